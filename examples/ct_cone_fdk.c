/* Cone beam: exact projections of a three-dimensional head, FDK reconstruction, three sections.
   cc -O2 examples/ct_cone_fdk.c -o ct_cone_fdk -lm && ./ct_cone_fdk
   SPDX-License-Identifier: MIT-0 OR Unlicense */
// expect: FDK of 96.3 voxels from 180 views: 31\.[0-9]+ dB, 29\.[0-9]+ dB
#define NRX_VERBOSE
#define NRX_CT_IMPLEMENTATION
#include "../nrx_ct.h"
#include "draw.h"

enum { N = 96 };
static float truth[N * N * N], volume[N * N * N], section[N * N];

int main(void)
{
    nrx_ct_geometry g = nrx_ct_cone(N, N, N, 180, 144, 160, 260, 390, 1.5);
    float *projections = (float *)malloc(nrx_ct_sino_size(&g) * sizeof *projections);
    nrx_ct_ellipse head[10];
    draw_canvas c = draw_new(10 + 3 * (2 * N + 10), 2 * (2 * N + 24) + 10, 0xffffff);
    double db = 0, middle = 0;
    int i, k, axis, ok;
    nrx_ct_shepp_logan(N / 2.0, 1, head);
    ok = projections && nrx_ct_phantom_ellipses(&g, head, 10, 3, truth) == NRX_OK && nrx_ct_ellipses_project(&g, head, 10, 0, projections) == NRX_OK
      && nrx_ct_fdk(&g, projections, volume, NULL) == NRX_OK && nrx_ct_psnr(N * N * N, NRX_F32, volume, truth, 1, NULL, &db) == NRX_OK
      && nrx_ct_psnr(2 * N * N, NRX_F32, volume + (N / 2 - 1) * N * N, truth + (N / 2 - 1) * N * N, 1, NULL, &middle) == NRX_OK;
    for (k = 0; k < 2 && ok; k++)
        for (axis = 0; axis < 3; axis++) {
            const float *v = k ? volume : truth;
            for (i = 0; i < N * N; i++) {
                int a = i / N, b = i % N, m = N / 2 - 3;
                section[i] = axis == 0 ? v[(m * N + a) * N + b] : axis == 1 ? v[((N - 1 - a) * N + m) * N + b] : v[((N - 1 - a) * N + b) * N + m];
            }
            draw_image(&c, 10 + axis * (2 * N + 10), 20 + k * (2 * N + 24), 2, section, N, N, 0, 0.5, DRAW_GRAY);
            draw_text(&c, 10 + axis * (2 * N + 10), 6 + k * (2 * N + 24), 1, 0, k ? "FDK" : axis == 0 ? "slice z" : axis == 1 ? "section y" : "section x");
        }
    if (ok) printf("FDK of %d^3 voxels from 180 views: %.2f dB, %.2f dB in the two central slices\n", N, db, middle);
    ok = ok && draw_save(&c, "ct_cone_fdk.png");
    draw_free(&c);
    free(projections);
    return !ok;
}
