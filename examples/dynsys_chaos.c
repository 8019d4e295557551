/* cc -O2 -I.. dynsys_chaos.c -o dynsys_chaos -lm && ./dynsys_chaos
   SPDX-License-Identifier: MIT-0 OR Unlicense

   Lyapunov spectra of a part of the catalogue, the Koopman spectrum of the logistic map with the residuals that unmask eight of nine
   eigenvalues, and model collapse beside its closed form. Writes dynsys_chaos.png. */
#define NRX_VERBOSE
#define NRX_DYNSYS_IMPLEMENTATION
#include "nrx_dynsys.h"
#include "draw.h"

int main(void)
{
    static const char *const names[8] = {"Lorenz63", "Rossler", "Chen", "Halvorsen", "HyperRossler", "Lorenz96", "Ueda", "HenonHeiles6"};
    static double P[4000 * 9], Q[4000 * 9];
    draw_canvas c = draw_new(1000, 360, 0xffffff);
    draw_plot p;
    size_t i, j, k;
    nrx_dyn_spectrum s;
    nrx_dyn_edmd_desc d = NRX_ZERO;
    nrx_rng r;
    double g[41], var[41], mean[41], expected[41];

    printf("%-14s %-9s spectrum\n", "system", "D_KY");
    p = draw_axes(&c, 10, 10, 320, 340, 0, 9, -6, 3, DRAW_LINEAR, "Lyapunov exponents of eight flows", "flow", "1 / time");
    for (i = 0; i < 8; i++) {
        nrx_dyn_system f;
        nrx_dyn_lyapunov_desc q = NRX_ZERO;
        nrx_dyn_lyapunov_info info;
        double l[8], e[8], at[8];
        if (nrx_dyn_find(names[i], &f) != NRX_OK) continue;
        q.time = 300 * f.period;
        if (nrx_dyn_lyapunov(&f.field, f.y0, &q, l, e, &info) != NRX_OK) continue;
        printf("%-14s %-9.4f", f.name, info.kaplan_yorke);
        for (j = 0; j < f.n; j++) { printf(" %.4f+-%.4f", l[j], e[j]); at[j] = (double)i + 1; }
        printf("\n");
        draw_points(&p, f.n, at, l, 3, draw_palette[i], f.name);
    }

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
    p = draw_axes(&c, 340, 10, 320, 340, -1.2, 1.2, -1.2, 1.2, DRAW_LINEAR, "Koopman: residual < 0.1 blue, else red", "Re", "Im");
    if (nrx_dyn_edmd(4000, 9, P, Q, &d, &s) == NRX_OK) {
        printf("logistic map, nine EDMD eigenvalues and their residuals:\n");
        for (i = 0; i < s.r; i++) {
            printf("  %8.4f %+8.4f i   residual %.2g\n", s.eigenvalues[2 * i], s.eigenvalues[2 * i + 1], s.residuals[i]);
            draw_points(&p, 1, s.eigenvalues + 2 * i, s.eigenvalues + 2 * i + 1, 4, draw_palette[s.residuals[i] > 0.1], NULL);
        }
        nrx_dyn_spectrum_free(&s);
    }

    p = draw_axes(&c, 670, 10, 320, 340, 0, 40, 0.05, 1.2, DRAW_LOG_Y, "model collapse: variance by generation", "generation", "");
    for (i = 0; i <= 40; i++) g[i] = (double)i;
    if (nrx_dyn_collapse(NRX_DYN_COLLAPSE_GAUSSIAN, 20, 40, 0, 2000, 1, var, mean, expected, NULL) == NRX_OK) {
        draw_curve(&p, 41, g, var, draw_palette[0], "20 samples each, 2000 runs");
        draw_curve(&p, 41, g, expected, draw_palette[1], "(1 - 1/m)^(g+1)");
        printf("collapse after 40 generations: variance %.4f, closed form %.4f\n", var[40], expected[40]);
    }
    if (nrx_dyn_collapse(NRX_DYN_COLLAPSE_GAUSSIAN, 20, 40, 0.5, 500, 1, var, mean, NULL, NULL) == NRX_OK)
        draw_curve(&p, 41, g, var, draw_palette[2], "half the data real");
    draw_save(&c, "dynsys_chaos.png");
    draw_free(&c);
    printf("wrote dynsys_chaos.png\n");
    return 0;
}
