/* cc -O2 examples/dynsys_learn.c -o dynsys_learn -lm && ./dynsys_learn [gradient steps]
   SPDX-License-Identifier: MIT-0 OR Unlicense

   Lorenz's attractor learned from one trajectory by a clipped shallow PLRNN (generalised teacher forcing) and by an almost-linear RNN
   (sparse forcing). The gradient step is chosen on a second trajectory, the figures are those of a third, beside what truth against
   truth gives. The almost-linear network is a symbolic code as well: each state lies in one of its linear regions. Then the skill
   table of a next-generation reservoir over eight systems, with and without noise in its training. Writes dynsys_learn.png. */
// expect: floor, truth against truth: D_stsp 0\.[01]
// expect: clipped PLRNN, .* test D_stsp 0\.[0-4]
// expect: AL-RNN, .* test D_stsp 0\.[0-4]
// expect: wrote dynsys_learn.png
#define NRX_VERBOSE
#define NRX_DYNSYS_IMPLEMENTATION
#include "../nrx_dynsys.h"
#include "draw.h"

enum { N = 100000, VALIDATION = 20000, SHOW = 8000, SYMBOLS = 1024 };
static double t[N], train[N][3], check[VALIDATION][3], test[N][3], run[N][3], u[SHOW], v[SHOW], transition[SYMBOLS * SYMBOLS];
static uint64_t code[N], symbol[SYMBOLS];
static size_t count[SYMBOLS];

/* n samples, 0.01 apart, on the attractor; every start gives another trajectory */
static int lorenz(size_t n, double *x, double x0)
{
    nrx_dyn_system s;
    nrx_dyn_solve_desc d = NRX_ZERO;
    double y0[3], two[2] = {0, 50}, y[6];
    size_t i;
    d.method = NRX_DYN_DOP853;
    d.rtol = d.atol = 1e-9;
    y0[0] = x0; y0[1] = 1; y0[2] = 25;
    for (i = 0; i < n; i++) t[i] = 0.01 * (double)i;
    return nrx_dyn_find("Lorenz63", &s) == NRX_OK && nrx_dyn_solve(&s.field, y0, 2, two, y, &d, NULL) == NRX_OK
        && nrx_dyn_solve(&s.field, y + 3, n, t, x, &d, NULL) == NRX_OK;
}

static void quiet(void *user, nrx_status status, const char *line) { (void)user; (void)status; (void)line; }

static void judge(const char *name, const double *x)
{
    double kl, h;
    if (nrx_dyn_state_divergence(N, test[0], N, x, 3, &kl) != NRX_OK || nrx_dyn_spectral_distance(N, test[0], x, 3, 20, &h) != NRX_OK) return;
    printf("%s D_stsp %.3f, D_H %.3f", name, kl, h);
}

static void panel(draw_canvas *c, int at, const char *title, double x[][3], int coded)
{
    draw_plot p = draw_axes(c, 10 + 300 * at, 20, 290, 320, -22, 22, 0, 50, DRAW_LINEAR, title, "x", "z");
    size_t i, j, k, n;
    for (i = 0; i < SHOW; i++) { u[i] = x[i][0]; v[i] = x[i][2]; }
    if (!coded) { draw_curve(&p, SHOW, u, v, draw_palette[at], NULL); return; }
    draw_points(&p, SHOW, u, v, 1, 0xaaaaaa, NULL);
    for (j = 0; j < 24; j++) { /* the most frequent regions in colours, the rest stays grey */
        for (k = 0, i = 1; i < SYMBOLS; i++) if (count[i] > count[k]) k = i;
        for (n = 0, i = 0; i < SHOW; i++) if (code[i] == symbol[k]) { u[n] = x[i][0]; v[n] = x[i][2]; n++; }
        if (count[k]) draw_points(&p, n, u, v, 1, draw_palette[j % 6], NULL);
        count[k] = 0;
    }
}

/* the reservoir without noise in its training: on clean data it often has a parasitic growing mode */
static nrx_status clean(void *user, double dt, size_t n, size_t d, const double *past, size_t steps, double *out)
{
    nrx_dyn_reservoir r;
    nrx_dyn_reservoir_desc q = NRX_ZERO;
    nrx_status st;
    (void)user; (void)dt;
    q.noise = -1;
    q.env.log = quiet;
    st = nrx_dyn_reservoir_train(n, d, past, &q, &r);
    if (st != NRX_OK) return st;
    st = nrx_dyn_reservoir_run(&r, r.need, past + (n - r.need) * d, steps, out);
    nrx_dyn_reservoir_free(&r);
    return st;
}

int main(int argc, char **argv)
{
    static const char *const names[8] = {"Lorenz63", "Rossler", "Halvorsen", "Thomas", "Chua", "SprottB", "HyperRossler", "Henon"};
    static const char *const kind[2] = {"clipped PLRNN", "AL-RNN"};
    draw_bar bar = {"train", 0, 0};
    size_t steps = argc > 1 ? (size_t)atol(argv[1]) : 40000, i, k;
    draw_canvas c = draw_new(920, 360, 0xffffff);
    if (!lorenz(N, train[0], 1) || !lorenz(VALIDATION, check[0], -3) || !lorenz(N, test[0], 5)) return 1;
    judge("floor, truth against truth:", train[0]);
    printf("\n");
    panel(&c, 0, "truth", test, 0);
    for (k = 0; k < 2; k++) {
        nrx_dyn_plrnn_desc d = NRX_ZERO;
        nrx_dyn_rnn *m;
        char text[160];
        d.kind = k ? NRX_DYN_ALRNN : NRX_DYN_CLIPPED;
        d.batches = steps;
        d.rate = 3e-3;
        d.rate_end = 1e-4;
        d.validation = check[0];
        d.n_validation = VALIDATION;
        if (k) { d.latent = 20; d.hidden = 10; }
        else { d.sequence = 100; d.alpha = 0.15; }
        d.env.progress = draw_progress;
        d.env.progress_user = &bar;
        if (nrx_dyn_plrnn(N, 3, train[0], &d, &m) != NRX_OK) return 1;
        sprintf(text, "%s, %lu parameters, step %lu of %lu: validation D_stsp %.3f, test", kind[k], (unsigned long)m->np, (unsigned long)m->step,
                (unsigned long)steps, m->divergence);
        if (nrx_dyn_rnn_run(m, test[0], N - 1, run[0], code) == NRX_OK) {
            memcpy(run[N - 1], run[N - 2], sizeof run[0]);
            code[N - 1] = code[N - 2];
            judge(text, run[0]);
            printf(", valid for %.1f Lyapunov times\n", nrx_dyn_valid_time(3000, 3, test[1], run[0], 0.01, 0.4, 1 / 0.9056));
            if (k) {
                size_t regions, used = 0;
                double entropy;
                if (nrx_dyn_symbols(N, code, SYMBOLS, symbol, count, transition, &regions, &entropy) == NRX_OK) {
                    for (i = 0; i < regions; i++) used += count[i] > N / 100;
                    printf("symbolic code: %lu of 1024 linear regions visited, %lu of them 1 %% of the time or more; topological entropy of the code %.2f\n",
                           (unsigned long)regions, (unsigned long)used, entropy);
                }
            }
            panel(&c, (int)k + 1, k ? "AL-RNN, coloured by linear region" : "clipped PLRNN, free run", run, (int)k);
        }
        nrx_dyn_rnn_free(m);
    }
    printf("\nnext-generation reservoir, medians over 15 starts (valid time in Lyapunov times, at most the horizon)\n");
    printf("%-14s %8s   %-26s   %s\n", "system", "horizon", "noise 1e-3 in training", "none");
    for (i = 0; i < 8; i++) {
        nrx_dyn_system s;
        nrx_dyn_skill_desc q = NRX_ZERO;
        nrx_dyn_skill_row row, bare;
        q.forecast = clean;
        if (nrx_dyn_find(names[i], &s) != NRX_OK || nrx_dyn_skill(&s, NULL, &row) != NRX_OK || nrx_dyn_skill(&s, &q, &bare) != NRX_OK) continue;
        printf("%-14s %8.1f   valid %5.2f sMAPE %5.1f %%   valid %5.2f sMAPE %5.1f %%, failed at %lu\n", s.name, row.horizon, row.valid, row.smape,
               bare.valid, bare.smape, (unsigned long)bare.failed);
    }
    draw_save(&c, "dynsys_learn.png");
    draw_free(&c);
    printf("wrote dynsys_learn.png\n");
    return 0;
}
