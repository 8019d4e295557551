/* Benchmarks of nrx_dynsys.h: solvers on Lorenz-63 through the public callback, its Lyapunov spectrum, sparse identification.
   SPDX-License-Identifier: MIT-0 OR Unlicense */
#include "bench.h"
#include "nrx_dynsys.h"

static nrx_status lorenz_inlined(void *user, double t, const double *y, double *d)
{
    (void)user; (void)t;
    d[0] = 10 * (y[1] - y[0]);
    d[1] = y[0] * (28 - y[2]) - y[1];
    d[2] = y[0] * y[1] - 8.0 / 3 * y[2];
    return NRX_OK;
}
#define NRX_DYN_INLINE_FIELD lorenz_inlined
#define NRX_DYN_INLINE_SIZE 3
#define NRX_DYNSYS_IMPLEMENTATION
#include "nrx_dynsys.h"

static nrx_status lorenz(void *user, double t, const double *y, double *d)
{
    (void)user; (void)t;
    d[0] = 10 * (y[1] - y[0]);
    d[1] = y[0] * (28 - y[2]) - y[1];
    d[2] = y[0] * y[1] - 8.0 / 3 * y[2];
    return NRX_OK;
}

static double samples[10000][3], times[10000];

static void solve(nrx_status (*field)(void *, double, const double *, double *), int method, double step)
{
    nrx_vfield f = {NULL, NULL, NULL, 3};
    nrx_dyn_solve_desc d = NRX_ZERO;
    double y0[3] = {1, 1, 1}, t[2] = {0, 1000}, y[6];
    f.f = field;
    d.method = method; d.step = step; d.rtol = d.atol = 1e-10;
    if (nrx_dyn_solve(&f, y0, 2, t, y, &d, NULL) != NRX_OK) printf("solve failed\n");
}

static void exponents(void)
{
    nrx_dyn_system s;
    nrx_dyn_lyapunov_desc d = NRX_ZERO;
    double l[3];
    d.time = 1000; d.interval = 1e-2; d.rtol = d.atol = 1e-6;
    if (nrx_dyn_find("Lorenz63", &s) != NRX_OK || nrx_dyn_lyapunov(&s.field, s.y0, &d, l, NULL, NULL) != NRX_OK) printf("lyapunov failed\n");
}

static void discover(void)
{
    nrx_dyn_data q;
    nrx_dyn_sindy_desc d = NRX_ZERO;
    nrx_dyn_model *m;
    memset(&q, 0, sizeof q);
    q.n = 10000; q.d = 3; q.x = samples[0]; q.dt = 0.002;
    d.library.degree = 5; d.threshold = 0.1;
    if (nrx_dyn_sindy(&q, &d, &m) != NRX_OK) printf("sindy failed\n");
    else nrx_dyn_model_free(m);
}

int main(int argc, char **argv)
{
    double y0[3] = {-8, 8, 27};
    nrx_vfield f = {lorenz, NULL, NULL, 3};
    int i;
    BENCH_MAIN(argc, argv);
    for (i = 0; i < 10000; i++) times[i] = 0.002 * i;
    if (nrx_dyn_solve(&f, y0, 10000, times, samples[0], NULL, NULL) != NRX_OK) return 1;
    BENCH("ode_dp5_lorenz_T1000_1e-10", solve(lorenz, NRX_DYN_DP5, 0));
    BENCH("inlined_ode_dp5_lorenz_T1000_1e-10", solve(lorenz_inlined, NRX_DYN_DP5, 0));
    BENCH("ode_dop853_lorenz_T1000_1e-10", solve(lorenz, NRX_DYN_DOP853, 0));
    BENCH("ode_rk4_lorenz_1e6", solve(lorenz, NRX_DYN_RK4, 1e-3));
    BENCH("dyn_lyapunov_lorenz_T1000", exponents());
    BENCH("dyn_sindy_lorenz_10k_deg5", discover());
    return 0;
}
