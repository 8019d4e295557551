/* Every call of nrx_dynsys.h that takes memory from its caller's hooks, with each allocation failing in turn; elsewhere they are only seen to run.
   SPDX-License-Identifier: MIT-0 OR Unlicense
   run: alloc */
#include "nrx_test.h"
#define NRX_DYNSYS_IMPLEMENTATION
#include "nrx_dynsys.h"

#if defined(NRX_TEST_ALLOC)
#define EACH(env, call, cleanup) NRX_TEST_EACH_ALLOC(env, heap, call, cleanup)
#else
#define EACH(env, call, cleanup)        \
    do {                                \
        int got_ = (int)(call);         \
        CHECK(got_ == NRX_OK);          \
        if (got_ == NRX_OK) { cleanup; } \
        (void)heap;                     \
    } while (0)
#endif

static nrx_test_heap heap;
static double t[600], x[600][3], out[40000];

static nrx_status lorenz(void *user, double s, const double *y, double *d)
{
    (void)user; (void)s;
    d[0] = 10 * (y[1] - y[0]); d[1] = y[0] * (28 - y[2]) - y[1]; d[2] = y[0] * y[1] - 8.0 / 3 * y[2];
    return NRX_OK;
}
static nrx_status pf(void *user, const double *p, double s, const double *y, double *d) { (void)user; (void)s; d[0] = -p[0] * y[0]; return NRX_OK; }
static nrx_status pvjp(void *user, const double *p, double s, const double *y, const double *a, double *ay, double *ap)
{
    (void)user; (void)s;
    ay[0] -= a[0] * p[0]; ap[0] -= a[0] * y[0];
    return NRX_OK;
}
static nrx_status ploss(void *user, size_t i, const double *y, double *value, double *grad) { (void)user; (void)i; *value += y[0]; grad[0] += 1; return NRX_OK; }
static double height(void *user, double s, const double *y) { (void)user; (void)s; return y[0]; }
static nrx_status lagged(void *user, double s, const double *y, const double *lag, double *d) { (void)user; (void)s; d[0] = lag[0] - y[0]; return NRX_OK; }

static nrx_status audit_stream(const nrx_dyn_audit_desc *d, nrx_dyn_audit_report **r)
{
    nrx_dyn_auditor *a;
    nrx_status st = nrx_dyn_auditor_create(3, d, &a);
    if (st != NRX_OK) return st;
    st = nrx_dyn_auditor_push(a, 300, x[0]);
    if (st == NRX_OK) st = nrx_dyn_auditor_push(a, 300, x[300]);
    if (st == NRX_OK) st = nrx_dyn_auditor_finish(a, r);
    nrx_dyn_auditor_free(a);
    return st;
}

static void solving(void)
{
    nrx_vfield f = {lorenz, NULL, NULL, 3};
    nrx_dyn_solve_desc d = NRX_ZERO;
    nrx_env env = NRX_ZERO;
    nrx_dyn_event e;
    nrx_dyn_parametric p = {pf, pvjp, NULL, 1, 1};
    nrx_dyn_delay q;
    nrx_dyn_lyapunov_desc L = NRX_ZERO;
    double y0[3] = {1, 1, 1}, l[3], er[3], one = 1, v, g, gp, tau = 0.1, param = 0, values[2] = {0.5, 1};
    int m;
    memset(&e, 0, sizeof e);
    memset(&q, 0, sizeof q);
    e.g = height;
    for (m = 0; m < 5; m++) {
        d.method = m; d.step = 0.01; d.events = &e; d.n_events = (size_t)(m & 1);
        EACH(d.env, nrx_dyn_solve(&f, y0, 20, t, out, &d, NULL), (void)0);
    }
    d.n_events = 0; d.method = 0;
    q.f = lagged; q.n = 1; q.n_delays = 1; q.tau = &tau;
    EACH(d.env, nrx_dyn_solve_delay(&q, y0, 20, t, out, &d, NULL), (void)0);
    EACH(env, nrx_dyn_kuramoto_sivashinsky(16, 22, x[0], 0.01, 2, 2, out, &env), (void)0);
    EACH(env, nrx_dyn_adjoint(&p, &one, &one, 5, t, 2, ploss, NULL, &v, &g, &gp, &env), (void)0);
    L.time = 4; L.transient = 1; L.trajectories = 2; L.blocks = 2;
    EACH(L.env, nrx_dyn_lyapunov(&f, y0, &L, l, er, NULL), (void)0);
    EACH(env, nrx_dyn_covariant(&f, NRX_DYN_FLOW, y0, 0.1, 5, 3, 5, out, NULL, l, &env), (void)0);
    EACH(env, nrx_dyn_orbit_diagram(&f, NRX_DYN_FLOW, y0, &param, 2, values, 2, 2, 4, out, &env), (void)0);
}

static void series(void)
{
    nrx_env env = NRX_ZERO;
    nrx_dyn_derivative_desc d = NRX_ZERO;
    nrx_dyn_sindy_desc s = NRX_ZERO;
    nrx_dyn_audit_desc a = NRX_ZERO;
    nrx_dyn_data q;
    nrx_dyn_model *m;
    nrx_dyn_audit_report *r;
    nrx_vfield f = {lorenz, NULL, NULL, 3};
    double th[3] = {0.05, 0.2, 0.5}, rows[12], r2;
    size_t best;
    int k; /* shuffling and plain differences take no memory */
    for (k = 1; k < 4; k++) EACH(env, nrx_dyn_surrogate(k, 100, x[0], 3, out, &env), (void)0);
    EACH(env, nrx_dyn_power_spectrum(100, x[0], out, &env), (void)0);
    for (k = 1; k < 5; k++) { d.method = k; d.alpha = k == NRX_DYN_TV ? 1e-4 : 0; EACH(d.env, nrx_dyn_derivative(100, 3, NULL, 0.01, x[0], &d, out, NULL), (void)0); }
    memset(&q, 0, sizeof q);
    q.n = 600; q.d = 3; q.x = x[0]; q.dt = 0.01;
    for (k = 0; k < 5; k++) {
        s.optimizer = k; s.library.degree = 2; s.normalize = k & 1;
        EACH(s.env, nrx_dyn_sindy(&q, &s, &m), nrx_dyn_model_free(m));
    }
    s.optimizer = 0; s.normalize = 0;
    EACH(s.env, nrx_dyn_sindy_path(&q, &s, 3, th, rows, &best), (void)0);
    s.weak_half = 20; s.weak_gls = 1; s.ensemble = 2; s.library.fourier = 1; s.library.degree = 1;
    EACH(s.env, nrx_dyn_sindy(&q, &s, &m), nrx_dyn_model_free(m));
    EACH(env, nrx_dyn_pde_find(20, 30, x[0], 0.01, 0.1, 1, 2, 2, 0.1, out, &r2, &env), (void)0);
    a.library.degree = 2; a.noise = -1;
    EACH(a.env, audit_stream(&a, &r), nrx_dyn_audit_free(r));
    a.field = &f; q.n = 200;
    EACH(a.env, nrx_dyn_audit(&q, &a, &r), nrx_dyn_audit_free(r));
}

static nrx_status two_modes(double *alpha, double *modes, const nrx_env *env)
{
    static double tt[20], y[40];
    double e;
    int i;
    for (i = 0; i < 20; i++) { tt[i] = 0.2 * i; y[2 * i] = exp(-0.2 * tt[i]) * cos(tt[i]); y[2 * i + 1] = exp(-0.2 * tt[i]) * sin(tt[i]); }
    alpha[0] = alpha[2] = -0.1; alpha[1] = 0.9; alpha[3] = -0.9;
    return nrx_dyn_dmd_optimised(20, 2, tt, y, 2, alpha, modes, &e, env);
}

static void learned(void)
{
    nrx_env env = NRX_ZERO;
    nrx_dyn_dmd_desc k = NRX_ZERO;
    nrx_dyn_edmd_desc e = NRX_ZERO;
    nrx_dyn_plrnn_desc d = NRX_ZERO;
    nrx_dyn_reservoir_desc q = NRX_ZERO;
    nrx_dyn_skill_desc w = NRX_ZERO;
    nrx_dyn_spectrum s;
    nrx_dyn_rnn *m;
    nrx_dyn_reservoir r;
    nrx_dyn_skill_row row;
    nrx_dyn_system lor;
    double A[36], B[6], sv[7], alpha[4], modes[8], error, xs[8], ys[8];
    char text[64];
    int i;
    k.delays = 3; k.rank = 4;
    EACH(k.env, nrx_dyn_dmd(50, 3, x[0], NULL, &k, &s), nrx_dyn_spectrum_free(&s));
    EACH(env, two_modes(alpha, modes, &env), (void)0);
    EACH(env, nrx_dyn_havok(600, x[0], 0.01, 20, 7, A, B, sv, &env), (void)0);
    for (i = 0; i < 4; i++) {
        e.kernel = i; e.library.degree = 2; e.cutoff = 1e-6; e.measure_preserving = i == 3;
        EACH(e.env, nrx_dyn_edmd(60, 3, x[0], x[1], &e, &s), nrx_dyn_spectrum_free(&s));
    }
    for (i = 0; i < 3; i++) {
        d.kind = i; d.batches = 2; d.sequence = 10; d.batch = 3; d.hidden = 4; d.validation = x[300]; d.n_validation = i == 1 ? 300 : 0;
        EACH(d.env, nrx_dyn_plrnn(300, 3, x[0], &d, &m), nrx_dyn_rnn_free(m));
    }
    q.kind = NRX_DYN_ECHO; q.units = 20;
    EACH(q.env, nrx_dyn_reservoir_train(300, 3, x[0], &q, &r), nrx_dyn_reservoir_free(&r));
    EACH(env, nrx_dyn_neural_ode(100, 3, x[0], 0.01, 4, 5, 2, 1e-3, 1, 1, out, &error, &env), (void)0);
    CHECK(nrx_dyn_find("Lorenz63", &lor) == NRX_OK);
    w.starts = 2; w.train = 100; w.count = 20;
#if !defined(NRX_TEST_ALLOC) /* a forecaster that fails scores nothing and is no error of the table */
    EACH(w.env, nrx_dyn_skill(&lor, &w, &row), (void)0);
#else
    (void)row;
#endif
    for (i = 0; i < 8; i++) { xs[i] = 0.5 + 0.25 * i; ys[i] = exp(xs[i]); }
    EACH(env, nrx_dyn_eml_search(8, 1, xs, ys, 3, 1e-9, text, sizeof text, &error, &env), (void)0);
    for (i = 0; i < 4; i++) EACH(env, nrx_dyn_collapse(i, 20, 3, 0, 2, 1, out, out + 10, out + 20, &env), (void)0);
}

int main(void)
{
    nrx_vfield f = {lorenz, NULL, NULL, 3};
    double y0[3] = {-8, 8, 27};
    int i;
    for (i = 0; i < 600; i++) t[i] = 0.01 * i;
    CHECK(nrx_dyn_solve(&f, y0, 600, t, x[0], NULL, NULL) == NRX_OK);
    solving();
    series();
    learned();
    return nrx_test_end();
}
