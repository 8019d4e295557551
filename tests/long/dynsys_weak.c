/* Long: exact support of Lorenz from noisy states, weak form, dt = 0.002, T = 10, half-width 100, power 4, 100 seeds; with ensemble beside it.
   SPDX-License-Identifier: MIT-0 OR Unlicense */
#include "../nrx_test.h"
#define NRX_DYNSYS_IMPLEMENTATION
#include "nrx_dynsys.h"

static double t[5001], x[5001][3], y[5001][3];

static int exact(const nrx_dyn_model *m)
{
    static const int truth[7] = {1, 2, 11, 12, 16, 23, 25};
    int i, hits = 0, count = 0;
    for (i = 0; i < 30; i++) count += m->coef[i] != 0;
    for (i = 0; i < 7; i++) hits += m->coef[truth[i]] != 0;
    return hits == 7 && count == 7;
}

int main(int argc, char **argv)
{
    static const double level[3] = {0.01, 0.05, 0.1};
    static const int least[3] = {100, 60, 25};
    int seeds = argc > 1 ? atoi(argv[1]) : 100, form, k, s, i, j;
    nrx_dyn_system L;
    nrx_dyn_solve_desc sd = NRX_ZERO;
    sd.method = NRX_DYN_DOP853; sd.rtol = sd.atol = 1e-12;
    CHECK(nrx_dyn_find("Lorenz63", &L) == NRX_OK);
    for (i = 0; i < 5001; i++) t[i] = 0.002 * i;
    CHECK(nrx_dyn_solve(&L.field, L.y0, 5001, t, x[0], &sd, NULL) == NRX_OK);
    for (form = 0; form < 3; form++)
        for (k = 0; k < 3; k++) {
            int found = 0;
            for (s = 0; s < seeds; s++) {
                nrx_dyn_data q;
                nrx_dyn_sindy_desc d = NRX_ZERO;
                nrx_dyn_model *m;
                nrx_rng r;
                nrx_rng_seed(&r, (uint64_t)s, 0);
                for (j = 0; j < 3; j++) {
                    double rms = 0;
                    for (i = 0; i < 5001; i++) rms += x[i][j] * x[i][j] / 5001;
                    for (i = 0; i < 5001; i++) y[i][j] = x[i][j] + level[k] * sqrt(rms) * nrx_rng_normal(&r);
                }
                memset(&q, 0, sizeof q);
                q.n = 5001; q.d = 3; q.x = y[0]; q.dt = 0.002;
                d.library.degree = 2; d.weak_half = 100; d.weak_stride = 10; d.weak_power = 4; d.threshold = 0.5;
                d.weak_gls = form == 1;
                if (form == 2) d.ensemble = 20;
                d.seed = (uint64_t)s;
                if (nrx_dyn_sindy(&q, &d, &m) == NRX_OK) { found += exact(m); nrx_dyn_model_free(m); }
            }
            printf("%s, %2.0f %% noise: exact support %d of %d\n", form == 0 ? "weak, ordinary least squares   " : form == 1 ? "weak, generalised least squares" : "the same with ensemble of 20   ", 100 * level[k], found, seeds);
            fflush(stdout);
            if (form == 0) CHECK(found * 100 >= least[k] * seeds);
        }
    return nrx_test_end();
}
