/* cc -O2 -I.. dynsys_learn.c -o dynsys_learn -lm && ./dynsys_learn [gradient steps]
   SPDX-License-Identifier: MIT-0 OR Unlicense

   Lorenz's attractor learned by a clipped shallow PLRNN with generalised teacher forcing, judged by D_stsp and D_H beside the floor of truth
   against truth; and forecast by a next-generation reservoir, with and without noise in training. Writes dynsys_learn.png. */
#define NRX_VERBOSE
#define NRX_DYNSYS_IMPLEMENTATION
#include "nrx_dynsys.h"
#include "draw.h"

enum { N = 100000 };
static double t[2 * N], x[2 * N][3], g[N][3], u[N], v[N];

int main(int argc, char **argv)
{
    nrx_dyn_system s;
    nrx_dyn_plrnn_desc d = NRX_ZERO;
    nrx_dyn_rnn *m;
    double kl, h;
    size_t i, k;
    draw_canvas c = draw_new(900, 420, 0xffffff);
    draw_plot p;
    if (nrx_dyn_find("Lorenz63", &s) != NRX_OK) return 1;
    for (i = 0; i < 2 * N; i++) t[i] = 0.01 * (double)i;
    if (nrx_dyn_solve(&s.field, s.y0, 2 * N, t, x[0], NULL, NULL) != NRX_OK) return 1;
    if (nrx_dyn_state_divergence(N, x[0], N, x[N], 3, &kl) == NRX_OK && nrx_dyn_spectral_distance(N, x[0], x[N], 3, 20, &h) == NRX_OK)
        printf("truth against truth: D_stsp %.3f, D_H %.3f\n", kl, h);
    for (k = 0; k < 2; k++) {
        for (i = 0; i < 20000; i++) { u[i] = x[i][0]; v[i] = x[i][2]; }
        p = draw_axes(&c, k ? 460 : 10, 20, 430, 380, -25, 25, 0, 50, DRAW_LINEAR, k ? "learned, free run" : "truth", "x", "z");
        if (!k) { draw_curve(&p, 20000, u, v, draw_palette[0], NULL); continue; }
        d.batches = argc > 1 ? (size_t)atol(argv[1]) : 4000;
        d.sequence = 100;
        d.alpha = 0.15;
        d.rate = 3e-3;
        d.env.progress = draw_progress;
        if (nrx_dyn_plrnn(N, 3, x[0], &d, &m) != NRX_OK) return 1;
        printf("\nPLRNN with %zu parameters, %zu gradient steps, loss %.2e\n", m->np, d.batches, m->loss);
        if (nrx_dyn_rnn_run(m, x[N], N, g[0], NULL) == NRX_OK) {
            if (nrx_dyn_state_divergence(N, x[0], N, g[0], 3, &kl) == NRX_OK && nrx_dyn_spectral_distance(N, x[0], g[0], 3, 20, &h) == NRX_OK)
                printf("learned: D_stsp %.3f, D_H %.3f, valid for %.1f Lyapunov times\n", kl, h, nrx_dyn_valid_time(3000, 3, x[N + 1], g[0], 0.01, 0.4, 1 / 0.9056));
            for (i = 0; i < 20000; i++) { u[i] = g[i][0]; v[i] = g[i][2]; }
            draw_curve(&p, 20000, u, v, draw_palette[1], NULL);
        }
        nrx_dyn_rnn_free(m);
    }
    for (k = 0; k < 2; k++) { /* every second sample: dt = 0.02 */
        nrx_dyn_reservoir r;
        nrx_dyn_reservoir_desc q = NRX_ZERO;
        static double y[3000][3], f[2000][3];
        q.noise = k ? 1e-3 : -1;
        q.env.log = NULL;
        for (i = 0; i < 3000; i++) memcpy(y[i], x[2 * i + 5000], sizeof y[i]);
        if (nrx_dyn_reservoir_train(600, 3, y[0], &q, &r) != NRX_OK) continue;
        if (nrx_dyn_reservoir_run(&r, 2, y[598], 2000, f[0]) != NRX_OK) printf("  (it diverged)\n");
        printf("next-generation reservoir, training noise %g: valid for %.1f Lyapunov times\n", k ? 1e-3 : 0.0, nrx_dyn_valid_time(2000, 3, y[600], f[0], 0.02, 0.4, 1 / 0.9056));
        nrx_dyn_reservoir_free(&r);
    }
    draw_save(&c, "dynsys_learn.png");
    draw_free(&c);
    printf("wrote dynsys_learn.png\n");
    return 0;
}
