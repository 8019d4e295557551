/* Trains SympFlow and the MLP baseline from scratch and measures them as the published weights were measured (see nrx_symplectic.h).
   cc -O2 -I. tests/long/symplectic_train.c -lm && ./a.out [Adam steps] [rate] [0 oscillator, 1 Henon-Heiles] [refinement] [which of 0123]
   SPDX-License-Identifier: MIT-0 OR Unlicense */
#define NRX_SYMPLECTIC_IMPLEMENTATION
#include "nrx_symplectic.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static size_t refine = 6000;
static double seconds(void) { return (double)clock() / CLOCKS_PER_SEC; }

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}
static double median(double *v, size_t n) { qsort(v, n, sizeof *v, by_value); return n ? v[n / 2] : 0.0; }

/* mean |z - z_ref|, mean relative, median relative energy error at t = 1, 10, 100 and, for the energy, 1000 */
static void measure(const char *name, nrx_sym_flow *f, const nrx_sym_system *sys, size_t n, const double *x0)
{
    const size_t m = 2 * sys->d;
    double *x = (double *)malloc(n * m * sizeof *x), *r = (double *)malloc(n * m * sizeof *r), *t = (double *)malloc(n * sizeof *t);
    double *de = (double *)malloc(n * sizeof *de), abs_[4] = { 0 }, rel[4] = { 0 }, mean_de[4] = { 0 }, med[4] = { 0 };
    size_t i, j, escaped = 0;
    int at, k;
    static const int times[4] = { 1, 10, 100, 1000 };
    memcpy(x, x0, n * m * sizeof *x);
    memcpy(r, x0, n * m * sizeof *r);
    for (i = 0; i < n; i++) t[i] = 1.0;
    for (at = 0, k = 0; k < 4; k++) {
        size_t used = 0;
        for (; at < times[k]; at++) {
            for (i = 0; i < n * m; i++) if (!(fabs(x[i]) < 50.0)) x[i] = 50.0;    /* escaped: held */
            (void)nrx_sym_flow_eval(f, n, t, x, x);
        }
        for (i = 0; i < n; i++) {
            double e2 = 0, z2 = 0, e0, e1;
            if (k < 3) (void)nrx_sym_integrate(sys, NRX_SYM_KAHAN_LI8, r + i * m, 0.05, (size_t)(20 * (times[k] - (k ? times[k - 1] : 0))), NULL, NULL);
            for (j = 0; j < m; j++) {
                e2 += (x[i * m + j] - r[i * m + j]) * (x[i * m + j] - r[i * m + j]);
                z2 += r[i * m + j] * r[i * m + j];
            }
            (void)nrx_sym_energy(sys, 0, x0 + i * m, &e0);
            (void)nrx_sym_energy(sys, 0, x + i * m, &e1);
            de[used] = fabs(e1 - e0) / fabs(e0);
            if (!(de[used] < 1.0)) escaped++;
            abs_[k] += sqrt(e2) / (double)n;
            rel[k] += sqrt(e2 / z2) / (double)n;
            mean_de[k] += de[used] / (double)n;
            used++;
        }
        med[k] = median(de, used);
    }
    printf("%-28s abs %.1e / %.1e / %.1e  rel %.1e / %.1e / %.1e  dE mean %.1e / %.1e / %.1e  median %.1e / %.1e / %.1e / %.1e  escapes %d\n", name,
           abs_[0], abs_[1], abs_[2], rel[0], rel[1], rel[2], mean_de[0], mean_de[1], mean_de[2], med[0], med[1], med[2], med[3], (int)escaped);
    free(x); free(r); free(t); free(de);
}

static double worst_energy(nrx_sym_flow *f, const nrx_sym_system *sys, const double *z0, int steps)
{
    double z[4], e0, e, worst = 0, one = 1.0;
    int i;
    memcpy(z, z0, 2 * sys->d * sizeof *z);
    (void)nrx_sym_energy(sys, 0, z, &e0);
    for (i = 0; i < steps; i++) {
        if (nrx_sym_flow_eval(f, 1, &one, z, z) != NRX_OK) return HUGE_VAL;
        (void)nrx_sym_energy(sys, 0, z, &e);
        if (fabs(e - e0) / fabs(e0) > worst) worst = fabs(e - e0) / fabs(e0);
    }
    return worst;
}

static nrx_sym_flow *trained(const char *name, const nrx_sym_system *sys, int kind, size_t steps, double lr, double matching, double box)
{
    nrx_sym_flow_desc d = NRX_ZERO;
    nrx_sym_train_desc t = NRX_ZERO;
    nrx_sym_train_info info;
    nrx_sym_flow *f = NULL;
    double start = seconds();
    d.d = sys->d; d.kind = kind; d.seed = 1;
    if (nrx_sym_flow_create(&d, &f) != NRX_OK) exit(1);
    t.system = sys; t.low = -box; t.high = box; t.steps = steps; t.lr = lr; t.matching = matching; t.seed = 1; t.refine = refine;
    if (nrx_sym_flow_train(f, &t, &info) != NRX_OK) exit(1);
    printf("%-28s test residual %.2e, matching %.1e, %.0f s\n", name, info.test, info.test_matching, seconds() - start);
    return f;
}

int main(int argc, char **argv)
{
    size_t steps = argc > 1 ? (size_t)atol(argv[1]) : 10000, i, n;
    double lr = argc > 2 ? atof(argv[2]) : 5e-3, *x0 = (double *)malloc(4000 * sizeof *x0);
    int which;
    nrx_rng rng;
    nrx_rng_seed(&rng, 7, 0);
    if (argc > 4) refine = (size_t)atol(argv[4]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (which = argc > 3 ? atoi(argv[3]) : 0; which < (argc > 3 ? atoi(argv[3]) + 1 : 2); which++) {
        nrx_sym_system sys = which ? nrx_sym_henon_heiles() : nrx_sym_oscillator();
        const double box = which ? 1.0 : 1.2, z0[2][4] = { { 1, 0, 0, 0 }, { 0.3, -0.3, 0.3, 0.15 } };
        static const char *name[2][4] = { { "oscillator SympFlow", "oscillator SympFlow + match", "oscillator MLP", "oscillator MLP + energy" },
            { "Henon-Heiles SympFlow", "Henon-Heiles SympFlow + match", "Henon-Heiles MLP", "Henon-Heiles MLP + energy" } };
        int k;
        n = which ? 200 : 1000;
        for (i = 0; i < n;) {
            double *z = x0 + i * 2 * sys.d, e;
            size_t j;
            for (j = 0; j < 2 * sys.d; j++) z[j] = box * (2 * nrx_rng_uniform(&rng) - 1);
            (void)nrx_sym_energy(&sys, 0, z, &e);
            if (which && (e >= 1.0 / 6 || z[1] < -0.5 || z[1] > 1 - sqrt(3.0) * fabs(z[0]))) continue;   /* inside the triangle */
            i++;
        }
        for (k = 0; k < 4; k++) {
            nrx_sym_flow *f;
            if (argc > 5 && !strchr(argv[5], '0' + k)) continue;
            f = trained(name[which][k], &sys, k < 2 ? NRX_SYM_NET_SYMPFLOW : NRX_SYM_NET_MLP, steps, lr, k % 2 ? 1.0 : 0.0, box);
            measure(name[which][k], f, &sys, n, x0);
            printf("%-28s plotted state: max |dE/E| to t = 1000: %.1e\n", name[which][k], worst_energy(f, &sys, z0[which], 1000));
            nrx_sym_flow_destroy(f);
        }
    }
    free(x0);
    return 0;
}
