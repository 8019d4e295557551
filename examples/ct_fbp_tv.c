/* Parallel and fan beam: filtered back projection against total variation from few views.
   cc -O2 examples/ct_fbp_tv.c -o ct_fbp_tv -lm && ./ct_fbp_tv
   SPDX-License-Identifier: MIT-0 OR Unlicense */
// expect: parallel, 40 views +FBP 19\.[0-9]+ dB, TV 3[789]\.
// expect: fan, 60 views +FBP 20\.[0-9]+ dB, TV 3[789]\.
#define NRX_VERBOSE
#define NRX_CT_IMPLEMENTATION
#include "../nrx_ct.h"
#include "draw.h"

enum { N = 256 };
static float truth[N * N], image[N * N];

/* Scans the phantom with a little noise, reconstructs both ways and draws one row of three pictures. */
static int row(draw_canvas *c, int y, const char *name, nrx_ct_geometry g, double lambda)
{
    size_t m = nrx_ct_sino_size(&g);
    float *sino = (float *)malloc(m * sizeof *sino);
    nrx_ct_ellipse head[10];
    nrx_ct_solver tv = NRX_ZERO;
    nrx_ct_info info = NRX_ZERO;
    double fbp_db = 0, tv_db = 0;
    draw_bar bar = {"TV", 0, 0};
    char text[80];
    int ok;
    nrx_ct_shepp_logan(N / 2.0, 1, head);
    ok = sino && nrx_ct_phantom_ellipses(&g, head, 10, 0, truth) == NRX_OK
      && nrx_ct_ellipses_project(&g, head, 10, -1, sino) == NRX_OK           /* exact line integrals, not A x */
      && nrx_ct_add_gaussian_noise(m, NRX_F32, sino, 0.01, 1, 7) == NRX_OK   /* 1 % */
      && nrx_ct_fbp(&g, sino, image, NULL) == NRX_OK && nrx_ct_psnr(N * N, NRX_F32, image, truth, 1, NULL, &fbp_db) == NRX_OK;
    draw_image(c, 10, y + 20, 1, truth, N, N, 0, 0.5, DRAW_GRAY);
    draw_image(c, 20 + N, y + 20, 1, image, N, N, 0, 0.5, DRAW_GRAY);
    tv.lambda = lambda;
    tv.iterations = 150;
    tv.box = NRX_CT_BOX;
    tv.upper = 1;
    tv.info = &info;
    g.env.progress = draw_progress;
    g.env.progress_user = &bar;
    ok = ok && nrx_ct_tv(&g, sino, image, &tv) == NRX_OK && nrx_ct_psnr(N * N, NRX_F32, image, truth, 1, NULL, &tv_db) == NRX_OK;
    draw_image(c, 30 + 2 * N, y + 20, 1, image, N, N, 0, 0.5, DRAW_GRAY);
    snprintf(text, sizeof text, "%s", name);
    draw_text(c, 10, y + 6, 1, 0, text);
    snprintf(text, sizeof text, "FBP %.2f dB", fbp_db);
    draw_text(c, 20 + N, y + 6, 1, 0, text);
    snprintf(text, sizeof text, "TV %.2f dB", tv_db);
    draw_text(c, 30 + 2 * N, y + 6, 1, 0, text);
    if (ok) printf("%-24s FBP %.2f dB, TV %.2f dB (relative residual %.4f)\n", name, fbp_db, tv_db, info.residual);
    free(sino);
    return ok;
}

int main(void)
{
    draw_canvas c = draw_new(40 + 3 * N, 2 * (N + 30) + 10, 0xffffff);
    int ok = row(&c, 0, "parallel, 40 views", nrx_ct_parallel(N, N, 40, 363), 1.0)
          && row(&c, N + 30, "fan, 60 views", nrx_ct_fan_flat(N, N, 60, 363, 512, 768, 1.6), 1.0);
    ok = ok && draw_save(&c, "ct_fbp_tv.png");
    draw_free(&c);
    return !ok;
}
