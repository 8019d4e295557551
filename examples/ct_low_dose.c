/* Low dose: counts of 10000, 3500 and 1000 photons per bin; filtered back projection, its smooth window, and weighted TV
   whose lambda is chosen from the data alone by cross-validation over views.
   cc -O2 examples/ct_low_dose.c -o ct_low_dose -lm && ./ct_low_dose
   SPDX-License-Identifier: MIT-0 OR Unlicense */
// expect: 10000 photons: FBP 29\.[0-9]+ dB, Hann 28\.[0-9]+ dB, TV 3[456]\.
// expect: 1000 photons: FBP 19\.[0-9]+ dB, Hann 26\.[0-9]+ dB, TV (29|30|31)\.
#define NRX_VERBOSE
#define NRX_CT_IMPLEMENTATION
#include "../nrx_ct.h"
#include "draw.h"

enum { N = 128, VIEWS = 180, BINS = 185 };
static float truth[N * N], image[3][N * N], sino[VIEWS * BINS], weight[VIEWS * BINS];

int main(void)
{
    static const double photons[3] = {10000, 3500, 1000};
    nrx_ct_geometry g = nrx_ct_parallel(N, N, VIEWS, BINS);
    draw_canvas c = draw_new(10 + 4 * (N + 10), 3 * (N + 24) + 10, 0xffffff);
    int k, i, ok = 1;
    for (k = 0; k < 3 && ok; k++) {
        nrx_ct_noise noise = NRX_ZERO;
        nrx_ct_fbp_desc hann = NRX_ZERO;
        nrx_ct_solver d = NRX_ZERO;
        nrx_ct_choice how = NRX_ZERO;
        double lambda = 0, db[3] = {0, 0, 0};
        char text[64];
        ok = nrx_ct_phantom_textured(&g, 5, 11, 0.02, truth) == NRX_OK;
        for (i = 0; i < N * N; i++) truth[i] *= 0.04f; /* attenuation per pixel */
        ok = ok && nrx_ct_project(&g, truth, sino) == NRX_OK;
        noise.photons = photons[k];
        noise.electronic = 5;
        noise.cross_talk = 0.3;
        noise.seed = 1;
        ok = ok && nrx_ct_add_poisson_noise(VIEWS * BINS, BINS, NRX_F32, sino, &noise) == NRX_OK;
        hann.window = NRX_CT_HANN;
        hann.cutoff = 0.7;
        ok = ok && nrx_ct_fbp(&g, sino, image[0], NULL) == NRX_OK && nrx_ct_fbp(&g, sino, image[1], &hann) == NRX_OK;
        d.box = NRX_CT_BOX;
        d.upper = 0.06;
        d.iterations = 60;
        how.steps = 7;
        how.folds = 3;
        how.lambda_min = 0.003;
        how.lambda_max = 1;
        for (i = 0; i < VIEWS * BINS; i++) weight[i] = (float)exp(-(double)sino[i]); /* counts relative to the open beam */
        d.weights = weight;
        ok = ok && nrx_ct_choose_lambda(&g, sino, NULL, &d, &how, &lambda) == NRX_OK;
        d.lambda = lambda;
        d.iterations = 150;
        ok = ok && nrx_ct_tv(&g, sino, image[2], &d) == NRX_OK;
        for (i = 0; i < 3; i++) ok = ok && nrx_ct_psnr(N * N, NRX_F32, image[i], truth, 0, NULL, &db[i]) == NRX_OK;
        printf("%5.0f photons: FBP %.2f dB, Hann %.2f dB, TV %.2f dB (lambda %.4f by cross-validation)\n", photons[k], db[0], db[1], db[2], lambda);
        draw_image(&c, 10, 20 + k * (N + 24), 1, truth, N, N, 0, 0.04, DRAW_GRAY);
        snprintf(text, sizeof text, "%.0f photons", photons[k]);
        draw_text(&c, 10, 8 + k * (N + 24), 1, 0, text);
        for (i = 0; i < 3; i++) {
            draw_image(&c, 10 + (i + 1) * (N + 10), 20 + k * (N + 24), 1, image[i], N, N, 0, 0.04, DRAW_GRAY);
            snprintf(text, sizeof text, "%s %.1f dB", i == 0 ? "FBP" : i == 1 ? "Hann" : "TV", db[i]);
            draw_text(&c, 10 + (i + 1) * (N + 10), 8 + k * (N + 24), 1, 0, text);
        }
    }
    ok = ok && draw_save(&c, "ct_low_dose.png");
    draw_free(&c);
    return !ok;
}
