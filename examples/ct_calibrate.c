/* Calibration by gradient: a detector that is 3.7 pixels off is found from the noisy scan itself.
   cc -O2 examples/ct_calibrate.c -o ct_calibrate -lm && ./ct_calibrate
   SPDX-License-Identifier: MIT-0 OR Unlicense */
// expect: found an offset of 3\.(69|70|71)[0-9]* bins, true 3\.7
#define NRX_VERBOSE
#define NRX_CT_IMPLEMENTATION
#include "../nrx_ct.h"
#include "draw.h"

enum { N = 128, VIEWS = 180, BINS = 187 };
static float sino[VIEWS * BINS], image[N * N];

int main(void)
{
    nrx_ct_geometry truth = nrx_ct_fan_flat(N, N, VIEWS, BINS, 300, 450, 1.5), g = truth;
    nrx_ct_ellipse head[10];
    nrx_ct_noise noise = NRX_ZERO;
    draw_canvas c = draw_new(30 + 4 * N, 2 * N + 40, 0xffffff);
    draw_bar bar = {"calibration", 0, 0};
    double residual = 0;
    char text[64];
    int i, ok;
    truth.offset = 3.7 * truth.pitch;
    nrx_ct_shepp_logan(60, 1, head);
    for (i = 0; i < 10; i++) head[i].value *= 0.02;
    noise.photons = 20000;
    noise.seed = 1;
    ok = nrx_ct_ellipses_project(&truth, head, 10, -1, sino) == NRX_OK && nrx_ct_add_poisson_noise(VIEWS * BINS, BINS, NRX_F32, sino, &noise) == NRX_OK;
    ok = ok && nrx_ct_fbp(&g, sino, image, NULL) == NRX_OK;
    draw_image(&c, 10, 30, 2, image, N, N, 0, 0.01, DRAW_GRAY);
    draw_text(&c, 10, 10, 1, 0, "offset 0");
    g.env.progress = draw_progress;
    g.env.progress_user = &bar;
    ok = ok && nrx_ct_calibrate(&g, sino, 1u << NRX_CT_BY_OFFSET, 0, 0, &residual) == NRX_OK;
    ok = ok && nrx_ct_fbp(&g, sino, image, NULL) == NRX_OK;
    draw_image(&c, 20 + 2 * N, 30, 2, image, N, N, 0, 0.01, DRAW_GRAY);
    snprintf(text, sizeof text, "offset %.3f bins (true 3.7)", g.offset / g.pitch);
    draw_text(&c, 20 + 2 * N, 10, 1, 0, text);
    printf("found an offset of %.4f bins, true 3.7; relative residual %.4f\n", g.offset / g.pitch, residual);
    ok = ok && draw_save(&c, "ct_calibrate.png");
    draw_free(&c);
    return !ok;
}
