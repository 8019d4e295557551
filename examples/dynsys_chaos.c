/* cc -O2 examples/dynsys_chaos.c -o dynsys_chaos -lm && ./dynsys_chaos
   SPDX-License-Identifier: MIT-0 OR Unlicense

   Lyapunov spectra of the catalogue's three- and four-dimensional flows beside the stored ones, the Koopman spectrum of the logistic map
   with the residuals that unmask eight of nine eigenvalues and the pseudospectrum they belong to, and model collapse of four kinds of
   model beside its closed forms. Writes dynsys_chaos.png. */
#define NRX_VERBOSE
#define NRX_DYNSYS_IMPLEMENTATION
#include "../nrx_dynsys.h"
#include "draw.h"
// expect: Lorenz +2\.0[0-9]+ +0\.[89]
// expect: [0-9]+ of [0-9]+ largest exponents within
// expect: 1\.0000 .* residual [0-9.]+e-1[3-6]
// expect: Gaussian .* closed form
// expect: VAE .* closed form

int main(void)
{
    static const char *const model[4] = {"Gaussian", "mixture", "KDE", "VAE"};
    static double P[4000 * 9], Q[4000 * 9];
    draw_canvas c = draw_new(1000, 360, 0xffffff);
    draw_plot p;
    size_t i, j, k;
    nrx_dyn_spectrum s;
    nrx_dyn_edmd_desc d = NRX_ZERO;
    nrx_rng r;
    double g[41], var[41], mean[41], expected[41];
    int flows = 0, good = 0, kind;

    printf("%-24s %-9s spectrum, short run of 150 periods\n", "system", "D_KY");
    p = draw_axes(&c, 10, 10, 420, 340, 0, 58, -6, 2, DRAW_LINEAR, "Lyapunov spectra of 56 flows", "flow", "asinh(exponent x period)");
    for (i = 0; i < nrx_dyn_count(); i++) {
        nrx_dyn_system f;
        nrx_dyn_lyapunov_desc q = NRX_ZERO;
        nrx_dyn_lyapunov_info info;
        double l[8], e[8], at[8];
        if (nrx_dyn_get(i, &f) != NRX_OK || f.kind != NRX_DYN_FLOW || f.n > 4 || !f.exponents || flows == 56) continue;
        q.time = 150 * f.period;
        q.transient = 50 * f.period;
        q.rtol = q.atol = 1e-7;
        if (nrx_dyn_lyapunov(&f.field, f.y0, &q, l, e, &info) != NRX_OK) continue;
        flows++;
        good += fabs(l[0] - f.exponents[0]) <= fmax(0.1 * fabs(f.exponents[0]), 3 * e[0]) + 1 / q.time;
        if (flows % 8 == 1 || !strcmp(f.name, "Lorenz63")) {
            printf("%-24s %-9.4f", f.name, info.kaplan_yorke);
            for (j = 0; j < f.n; j++) printf(" %.4f+-%.4f", l[j], e[j]);
            printf("\n");
        }
        for (j = 0; j < f.n; j++) { at[j] = (double)flows; l[j] = asinh(l[j] * f.period); }
        draw_points(&p, f.n, at, l, 2, draw_palette[flows % 6], NULL);
    }
    printf("%d of %d largest exponents within max(10 %%, 3 standard errors) of the stored ones\n", good, flows);

    nrx_rng_seed(&r, 1, 0); /* Legendre polynomials to degree 8 on arcsine-distributed points of x -> 4 x (1 - x) */
    for (i = 0; i < 4000; i++) {
        double u = 0.5 - 0.5 * cos(NRX_PI * nrx_rng_uniform(&r)), z[2];
        z[0] = 2 * u - 1;
        z[1] = 8 * u * (1 - u) - 1;
        for (k = 0; k < 2; k++) {
            double *w = (k ? Q : P) + 9 * i;
            w[0] = 1;
            w[1] = z[k];
            for (j = 1; j < 8; j++) w[j + 1] = ((2 * (double)j + 1) * z[k] * w[j] - (double)j * w[j - 1]) / ((double)j + 1);
        }
    }
    d.p = 9;
    p = draw_axes(&c, 440, 10, 270, 340, -1.2, 1.2, -1.2, 1.2, DRAW_LINEAR, "Koopman: residual < 0.1 blue, else red", "Re", "Im");
    if (nrx_dyn_edmd(4000, 9, P, Q, &d, &s) == NRX_OK) {
        for (i = 0; i < 41; i++) for (j = 0; j < 41; j++) { /* grey where the residual can be below 0.5: the 0.5-pseudospectrum */
            double z[2], res;
            z[0] = -1.2 + 0.06 * (double)i;
            z[1] = -1.2 + 0.06 * (double)j;
            if (nrx_dyn_pseudospectrum(&s, 1, z, &res) == NRX_OK && res < 0.5) draw_points(&p, 1, z, z + 1, 1, 0xbbbbbb, NULL);
        }
        printf("logistic map, nine EDMD eigenvalues and their residuals:\n");
        for (i = 0; i < s.r; i++) {
            printf("  %8.4f %+8.4f i   residual %.2g\n", s.eigenvalues[2 * i], s.eigenvalues[2 * i + 1], s.residuals[i]);
            draw_points(&p, 1, s.eigenvalues + 2 * i, s.eigenvalues + 2 * i + 1, 4, draw_palette[s.residuals[i] > 0.1], NULL);
        }
        nrx_dyn_spectrum_free(&s);
    }

    p = draw_axes(&c, 720, 10, 270, 340, 0, 40, 0.08, 20, DRAW_LOG_Y, "collapse: dots, and closed forms", "generation", "variance");
    for (i = 0; i <= 40; i++) g[i] = (double)i;
    for (kind = 0; kind < 4; kind++) {
        if (nrx_dyn_collapse(kind, 20, 40, 0, kind == NRX_DYN_COLLAPSE_MIXTURE ? 2000 : 10000, 1, var, mean, expected, NULL) != NRX_OK) continue;
        draw_points(&p, 41, g, var, 2, draw_palette[kind], NULL);
        draw_curve(&p, 41, g, expected, draw_palette[kind], model[kind]);
        printf("%-9s variance after 20 generations of 20 samples: %.4f, closed form %.4f\n", model[kind], var[20], expected[20]);
    }
    if (nrx_dyn_collapse(NRX_DYN_COLLAPSE_GAUSSIAN, 20, 40, 0.5, 500, 1, var, mean, expected, NULL) == NRX_OK) {
        draw_curve(&p, 41, g, expected, 0x000000, "half the data real");
        printf("%-9s half of the data real: %.4f, closed form %.4f\n", model[0], var[40], expected[40]);
    }
    draw_save(&c, "dynsys_chaos.png");
    draw_free(&c);
    printf("wrote dynsys_chaos.png\n");
    return 0;
}
