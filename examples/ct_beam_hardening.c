/* Beam hardening: the cup in a water disc scanned with a polychromatic beam, and its correction by a polynomial.
   cc -O2 examples/ct_beam_hardening.c -o ct_beam_hardening -lm && ./ct_beam_hardening
   SPDX-License-Identifier: MIT-0 OR Unlicense */
// expect: raw +: .*cup 6\.[0-9] %
// expect: corrected: .*cup [0-3]\.[0-9] %
#define NRX_VERBOSE
#define NRX_CT_IMPLEMENTATION
#include "../nrx_ct.h"
#include "draw.h"

enum { N = 256, VIEWS = 360, BINS = 363 };
static float lengths[2 * VIEWS * BINS], sino[VIEWS * BINS], image[2][N * N];

int main(void)
{
    /* five energies of a 90 kV spectrum; attenuation per mm of water, and of bone-like inserts */
    static const double spectrum[5] = {0.15, 0.30, 0.28, 0.18, 0.09}, mu[10] = {0.0376, 0.0268, 0.0227, 0.0206, 0.0184, 0.24, 0.127, 0.081, 0.060, 0.043};
    nrx_ct_beam beam = {5, 2, spectrum, mu};
    nrx_ct_geometry g = nrx_ct_fan_flat(N, N, VIEWS, BINS, 500, 750, 1.6);
    nrx_ct_ellipse water, bone[2];
    draw_canvas c = draw_new(10 + 2 * (N + 10) + 420, N + 40, 0xffffff);
    draw_plot plot;
    double poly[4], profile[2][N];
    int i, k, ok;
    memset(&water, 0, sizeof water);
    memset(bone, 0, sizeof bone);
    water.a = water.b = 100;
    water.value = 1;
    for (i = 0; i < 2; i++) { bone[i].x = i ? 40 : -40; bone[i].a = bone[i].b = 12; bone[i].value = 1; }
    ok = nrx_ct_ellipses_project(&g, &water, 1, 0, lengths) == NRX_OK && nrx_ct_ellipses_project(&g, bone, 2, 0, lengths + VIEWS * BINS) == NRX_OK
      && nrx_ct_polychromatic(VIEWS * BINS, NRX_F32, &beam, lengths, sino) == NRX_OK && nrx_ct_fbp(&g, sino, image[0], NULL) == NRX_OK
      && nrx_ct_fit_hardening(&beam, 0, 220, 4, poly) == NRX_OK && nrx_ct_correct_hardening(VIEWS * BINS, NRX_F32, sino, 4, poly) == NRX_OK
      && nrx_ct_fbp(&g, sino, image[1], NULL) == NRX_OK;
    if (!ok) return 1;
    plot = draw_axes(&c, 20 + 2 * (N + 10), 10, 400, N + 20, 0, N, 0, 0.04, DRAW_LINEAR, "row 40 pixels below the centre", "column", "1/mm");
    for (k = 0; k < 2; k++) {
        for (i = 0; i < N; i++) profile[k][i] = (double)image[k][(N / 2 + 40) * N + i];
        draw_curve(&plot, N, NULL, profile[k], draw_palette[k], k ? "corrected" : "raw");
        draw_image(&c, 10 + k * (N + 10), 25, 1, image[k], N, N, 0.015, 0.035, DRAW_GRAY);
        draw_text(&c, 10 + k * (N + 10), 10, 1, 0, k ? "after water correction" : "polychromatic beam");
        printf("%s: edge %.5f, centre %.5f 1/mm (cup %.1f %%)\n", k ? "corrected" : "raw      ", profile[k][N / 2 - 80], profile[k][N / 2],
               100 * (profile[k][N / 2 - 80] / profile[k][N / 2] - 1));
    }
    ok = draw_save(&c, "ct_beam_hardening.png");
    draw_free(&c);
    return !ok;
}
