/* Limited angle: what 180, 120, 90 and 60 degrees of views show, by filtered back projection and by total variation.
   cc -O2 examples/ct_limited_angle.c -o ct_limited_angle -lm && ./ct_limited_angle
   SPDX-License-Identifier: MIT-0 OR Unlicense */
// expect: 180 degrees: FBP 30\.[0-9]+ dB, TV 36\.[0-9]+ dB
// expect: 60 degrees: FBP 11\.[0-9]+ dB, TV 20\.[0-9]+ dB
#define NRX_VERBOSE
#define NRX_CT_IMPLEMENTATION
#include "../nrx_ct.h"
#include "draw.h"

enum { N = 192 };
static float truth[N * N], fbp[N * N], tv[N * N];

int main(void)
{
    static const int degrees[4] = {180, 120, 90, 60};
    draw_canvas c = draw_new(10 + 4 * (N + 10), 2 * (N + 30) + 10, 0xffffff);
    int k, ok = 1;
    for (k = 0; k < 4 && ok; k++) {
        nrx_ct_geometry g = nrx_ct_parallel(N, N, (size_t)degrees[k], 275);
        size_t m = nrx_ct_sino_size(&g);
        float *sino = (float *)malloc(m * sizeof *sino);
        nrx_ct_solver d = NRX_ZERO;
        double a = 0, b = 0, s = 0;
        char text[64];
        draw_bar bar = {"TV", 0, 0};
        g.step = NRX_PI / 180;
        ok = sino && nrx_ct_phantom_textured(&g, 2026, 3, 0.03, truth) == NRX_OK && nrx_ct_project(&g, truth, sino) == NRX_OK
          && nrx_ct_add_gaussian_noise(m, NRX_F32, sino, 0.02, 1, 1) == NRX_OK && nrx_ct_fbp(&g, sino, fbp, NULL) == NRX_OK;
        g.env.progress = draw_progress;
        g.env.progress_user = &bar;
        d.lambda = 6;
        d.box = NRX_CT_BOX;
        d.upper = 1;
        d.iterations = 200;
        ok = ok && nrx_ct_tv(&g, sino, tv, &d) == NRX_OK && nrx_ct_psnr(N * N, NRX_F32, fbp, truth, 0, NULL, &a) == NRX_OK
          && nrx_ct_psnr(N * N, NRX_F32, tv, truth, 0, NULL, &b) == NRX_OK && nrx_ct_ssim(N, N, NRX_F32, tv, truth, 0, NRX_CT_SSIM_WANG, NULL, &s) == NRX_OK;
        printf("%3d degrees: FBP %.2f dB, TV %.2f dB (SSIM %.3f)\n", degrees[k], a, b, s);
        draw_image(&c, 10 + k * (N + 10), 20, 1, fbp, N, N, 0, 1, DRAW_GRAY);
        draw_image(&c, 10 + k * (N + 10), N + 50, 1, tv, N, N, 0, 1, DRAW_GRAY);
        snprintf(text, sizeof text, "%d degrees, FBP %.1f dB", degrees[k], a);
        draw_text(&c, 10 + k * (N + 10), 6, 1, 0, text);
        snprintf(text, sizeof text, "TV %.1f dB", b);
        draw_text(&c, 10 + k * (N + 10), N + 36, 1, 0, text);
        free(sino);
    }
    ok = ok && draw_save(&c, "ct_limited_angle.png");
    draw_free(&c);
    return !ok;
}
