/* The solvers of nrx_optim.h beyond the solve block: tabulated problems, rates, f32, bad input.
   SPDX-License-Identifier: MIT-0 OR Unlicense
   run: alloc */
#define NRX_TEST_DENSE
#include "nrx_test.h"
#define NRX_OPTIM_IMPLEMENTATION
#include "nrx_optim.h"
#include "nrx_test.h"

/* x known, b = A x: symmetric indefinite for MINRES, unsymmetric for the others. */
static void krylov(int dtype)
{
    enum { N = 40 };
    double a[N * N], b[N], x[N], want[N], top;
    dense d;
    nrx_linop op = dense_op(&d, N, N, dtype, a);
    nrx_test_rng r = {4};
    int method, i, j;
    for (method = 0; method < 4; method++) {
        nrx_solve_desc o = NRX_ZERO;
        nrx_solve_info info;
        for (i = 0; i < N; i++) {
            want[i] = nrx_test_signed(&r);
            for (j = 0; j < N; j++) a[i * N + j] = 0.2 * nrx_test_signed(&r);
        }
        if (method == 0) for (i = 0; i < N; i++) { for (j = 0; j < i; j++) a[i * N + j] = a[j * N + i]; a[i * N + i] += i % 2 ? 4 : -4; }
        else for (i = 0; i < N; i++) a[i * N + i] += 3;
        for (i = 0; i < N; i++) { double s = 0; for (j = 0; j < N; j++) s += a[i * N + j] * want[j]; put(dtype, b, (size_t)i, s); put(dtype, x, (size_t)i, 0.1); }
        o.memory = method == 2 ? 12 : 0; /* one GMRES that has to restart */
        o.tol = dtype == NRX_F32 ? 2e-6 : 1e-12;
        CHECK_ALWAYS((method == 0 ? nrx_opt_minres : method == 3 ? nrx_opt_bicgstab : nrx_opt_gmres)(&op, b, x, &o, &info) == NRX_OK);
        CHECK(info.stop == NRX_STOP_TOL);
        if (method < 2) CHECK(info.iterations <= N + (dtype == NRX_F32 ? 10 : 1));
        for (top = 0, i = 0; i < N; i++) if (fabs(get(dtype, x, (size_t)i) - want[i]) > top) top = fabs(get(dtype, x, (size_t)i) - want[i]);
        CHECK(top < (dtype == NRX_F32 ? 2e-5 : 1e-10));
    }
}

/* Rosenbrock in pairs, both precisions through one body. */
typedef struct { size_t n; int dtype; long calls; } rosen;
static nrx_status rosen_eval(void *user, const void *x, double *value, void *grad)
{
    rosen *p = (rosen *)user;
    double f = 0;
    size_t i;
    p->calls++;
    for (i = 0; i + 1 < p->n; i += 2) {
        double a = get(p->dtype, x, i), b = get(p->dtype, x, i + 1), u = b - a * a, v = 1 - a;
        f += 100 * u * u + v * v;
        if (grad) { put(p->dtype, grad, i, -400 * a * u - 2 * v); put(p->dtype, grad, i + 1, 200 * u); }
    }
    if (value) *value = f;
    return NRX_OK;
}
static void rosenbrock(void)
{
    static const size_t sizes[2] = {2, 100};
    int q, method, dtype;
    for (q = 0; q < 2; q++)
        for (method = 0; method < 3; method++)
            for (dtype = 0; dtype < 2; dtype++) {
                double x[100];
                rosen p = {0, 0, 0};
                nrx_functional f = NRX_ZERO;
                nrx_solve_desc o = NRX_ZERO;
                nrx_solve_info info;
                size_t i;
                p.n = sizes[q]; p.dtype = dtype;
                f.eval = rosen_eval; f.user = &p; f.n = p.n; f.dtype = dtype;
                for (i = 0; i < p.n; i += 2) { put(dtype, x, i, -1.2); put(dtype, x, i + 1, 1); }
                o.memory = 6; o.tol = dtype ? 1e-8 : 1e-4; o.max_iter = 5000;
                CHECK_ALWAYS((method == 0 ? nrx_opt_lbfgs : method == 1 ? nrx_opt_ncg : nrx_opt_bb)(&f, x, &o, &info) == NRX_OK);
                CHECK(info.stop == NRX_STOP_TOL || (!dtype && info.stop == NRX_STOP_STALLED));
                if (method == 0 && dtype) CHECK(info.iterations <= 45 && p.calls <= 65);
                if (getenv("NRX_SHOW")) printf("rosenbrock n %d method %d dtype %d: %d iterations %ld calls f %g\n", (int)p.n, method, dtype, (int)info.iterations, p.calls, info.objective);
                for (i = 0; i < p.n; i++) CHECK_NEAR(get(dtype, x, i), 1, dtype ? 1e-6 : 1e-2);
            }
    { /* inside a box whose corner is active: (0.5, 0.25) is the solution for x <= 0.5 */
        double x[2] = {-1.2, 1};
        rosen p = {2, NRX_F64, 0};
        nrx_functional f = NRX_ZERO;
        nrx_solve_desc o = NRX_ZERO;
        nrx_solve_info info;
        f.eval = rosen_eval; f.user = &p; f.n = 2; f.dtype = NRX_F64;
        o.use_upper = o.use_lower = 1; o.upper = 0.5; o.lower = -3; o.tol = 1e-9;
        CHECK_ALWAYS(nrx_opt_lbfgs(&f, x, &o, &info) == NRX_OK && info.stop == NRX_STOP_TOL);
        CHECK_NEAR(x[0], 0.5, 1e-12);
        CHECK_NEAR(x[1], 0.25, 1e-9);
        x[0] = -1.2; x[1] = 0.4;
        CHECK_ALWAYS(nrx_opt_bb(&f, x, &o, &info) == NRX_OK && info.stop == NRX_STOP_TOL);
        CHECK_NEAR(x[1], 0.25, 1e-8);
        CHECK_ALWAYS(nrx_opt_ncg(&f, x, &o, &info) == NRX_E_UNSUPPORTED);
    }
}
/* the plain gradient's and Adam's tabulated ends on Rosenbrock: checks the objective used above */
static void rosenbrock_table(void)
{
    double x[2] = {-1.2, 1}, g[2];
    rosen p = {2, NRX_F64, 0};
    nrx_param q = NRX_ZERO;
    nrx_opt o;
    nrx_opt_desc d = NRX_ZERO;
    double f;
    int t;
    rosen_eval(&p, x, &f, g);
    CHECK_NEAR(f, 24.2, 1e-13);
    CHECK_NEAR(g[0], -215.6, 1e-12);
    q.value = x; q.grad = g; q.rows = 1; q.cols = 2; q.dtype = NRX_F64;
    d.kind = NRX_OPT_SGD; d.lr = 1e-3;
    CHECK_ALWAYS(nrx_opt_init(&o, &q, 1, &d) == NRX_OK);
    for (t = 0; t < 10000; t++) { rosen_eval(&p, x, NULL, g); CHECK_ALWAYS(nrx_opt_step(&o) == NRX_OK); }
    rosen_eval(&p, x, &f, NULL);
    CHECK_REL(f, 5.852760790128e-5, 1e-9);
    CHECK_NEAR(x[0], 0.992355840412, 1e-11);
    CHECK_NEAR(x[1], 0.984739384194, 1e-11);
    nrx_opt_drop(&o);
    x[0] = -1.2; x[1] = 1;
    d.kind = NRX_OPT_ADAM; d.lr = 0.01;
    CHECK_ALWAYS(nrx_opt_init(&o, &q, 1, &d) == NRX_OK);
    for (t = 0; t < 5000; t++) { rosen_eval(&p, x, NULL, g); CHECK_ALWAYS(nrx_opt_step(&o) == NRX_OK); }
    rosen_eval(&p, x, &f, NULL);
    CHECK_REL(f, 4.72e-10, 2e-3);
    nrx_opt_drop(&o);
}

/* Functions of the line search literature (More and Thuente 1994): an acceptable point from far away starts. */
static int line_kind;
static nrx_status line_eval(void *user, const void *x, double *value, void *grad)
{
    double a = *(const double *)x, f, g;
    (void)user;
    if (line_kind == 0) { f = -a / (a * a + 2); g = (a * a - 2) / ((a * a + 2) * (a * a + 2)); }
    else if (line_kind == 1) { double t = a + 0.004; f = pow(t, 5) - 2 * pow(t, 4); g = 5 * pow(t, 4) - 8 * pow(t, 3); }
    else { f = a < 3 ? -a : HUGE_VAL; g = -1; if (a > 2) { f += 10 * (a - 2) * (a - 2); g += 20 * (a - 2); } } /* infinite beyond 3 */
    if (value) *value = f;
    if (grad) *(double *)grad = g;
    return NRX_OK;
}
static void line_searches(void)
{
    static const double first[4] = {1e-3, 1e-1, 10, 1e3};
    int i;
    for (line_kind = 0; line_kind < 3; line_kind++)
        for (i = 0; i < 4; i++) {
            double x0 = 0, d = 1, xt, gt, step, phi, g0;
            nrxi_solver s;
            nrxi_opt_line l;
            nrx_functional f = NRX_ZERO;
            nrx_solve_info info;
            f.eval = line_eval; f.n = 1; f.dtype = NRX_F64;
            CHECK_ALWAYS(nrxi_solver_begin(&s, "line", NRX_F64, NULL, &info) == NRX_OK);
            l.s = &s; l.f = &f; l.x = &x0; l.d = &d; l.xt = &xt; l.gt = &gt; l.failed = 0;
            line_eval(NULL, &x0, &l.phi0, &g0);
            l.slope0 = g0;
            CHECK(nrxi_opt_line_search(&l, first[i], 0.1, &step, &phi) == 1);
            line_eval(NULL, &step, &phi, &gt);
            CHECK(phi <= l.phi0 + 1e-4 * step * g0 && fabs(gt) <= 0.1 * fabs(g0));
            CHECK(info.evals <= 25);
        }
}

/* y = exp(-a t) cos(b t) fitted from 30 noiseless samples. */
static nrx_status decay_fit(void *user, const double *x, double *r, double *J)
{
    int i;
    (void)user;
    for (i = 0; i < 30; i++) {
        double t = 0.1 * i, e = exp(-x[0] * t), c = cos(x[1] * t);
        r[i] = e * c - exp(-0.7 * t) * cos(2.3 * t);
        if (J) { J[2 * i] = -t * e * c; J[2 * i + 1] = -t * e * sin(x[1] * t); }
    }
    return NRX_OK;
}
static void levenberg(void)
{
    double x[2] = {0.1, 1.6};
    nrx_solve_desc o = NRX_ZERO;
    nrx_solve_info info;
    o.tol = 1e-12;
    CHECK_ALWAYS(nrx_opt_levenberg(decay_fit, NULL, 30, 2, x, &o, &info) == NRX_OK);
    CHECK(info.stop == NRX_STOP_TOL && info.iterations < 20);
    CHECK_NEAR(x[0], 0.7, 1e-10);
    CHECK_NEAR(x[1], 2.3, 1e-10);
}

static nrx_status turn(void *user, const void *x, void *tx)
{
    const double *v = (const double *)x;
    double *w = (double *)tx;
    if (*(int *)user) { w[0] = -v[0]; w[1] = -v[1]; }
    else { w[0] = -v[1]; w[1] = v[0]; }
    return NRX_OK;
}
static nrx_status contraction(void *user, const void *x, void *tx)
{
    const double *v = (const double *)x;
    double *w = (double *)tx;
    int i;
    (void)user;
    for (i = 0; i < 6; i++) w[i] = 0.9 * cos(v[(i + 1) % 6]) + 0.05 * i;
    return NRX_OK;
}
static nrx_status component(void *user, size_t i, const void *x, void *fx)
{
    const double *v = (const double *)x;
    double *w = (double *)fx, a = cos((double)i), b = sin(2.0 * (double)i), s = a * v[0] + b * v[1] - (double)(i % 3);
    (void)user;
    w[0] = a * s;
    w[1] = b * s;
    return NRX_OK;
}
static void fixed_points(void)
{
    static const double table[3] = {1.285648693066e-1, 1.400211447894e-2, 1.412800761611e-3};
    double x[6], hist[1000], a[4] = {0, 0, 0, 0}, b[2] = {0, 0}, det;
    nrx_solve_desc o = NRX_ZERO;
    nrx_solve_info info;
    int minus = 0, i, k;
    o.max_iter = 1000; o.history = hist; o.history_size = 1000; o.tol = -1;
    x[0] = 1; x[1] = 0;
    CHECK_ALWAYS(nrx_opt_halpern(turn, &minus, 2, NRX_F64, x, &o, &info) == NRX_OK);
    CHECK_NEAR(hist[9], table[0], 1e-12);
    CHECK_NEAR(hist[99], table[1], 1e-13);
    CHECK_NEAR(hist[999], table[2], 1e-14);
    for (k = 1; k <= 1000; k++) CHECK(hist[k - 1] <= 2.0 / (k + 1) + 1e-15);
    minus = 1; /* T = -Id: the bound is met with equality at even k */
    x[0] = 1; x[1] = 0;
    CHECK_ALWAYS(nrx_opt_halpern(turn, &minus, 2, NRX_F64, x, &o, &info) == NRX_OK);
    CHECK_NEAR(hist[1], 2.0 / 3, 1e-14);
    CHECK_NEAR(hist[9], 2.0 / 11, 1e-14);
    o.tol = 1e-12;
    memset(x, 0, sizeof x);
    CHECK_ALWAYS(nrx_opt_anderson(contraction, NULL, 6, NRX_F64, x, &o, &info) == NRX_OK && info.stop == NRX_STOP_TOL);
    CHECK(info.iterations < 40);
    for (i = 0; i < 6; i++) CHECK_NEAR(x[i], 0.9 * cos(x[(i + 1) % 6]) + 0.05 * i, 1e-11);
    /* mean of rank-one gradients: the minimiser of a least-squares problem */
    for (i = 0; i < 200; i++) { double p = cos(i), q = sin(2.0 * i); a[0] += p * p; a[1] += p * q; a[3] += q * q; b[0] += p * (i % 3); b[1] += q * (i % 3); }
    det = a[0] * a[3] - a[1] * a[1];
    memset(&o, 0, sizeof o);
    o.max_iter = 3000; o.tol = 1e-3; o.seed = 5;
    x[0] = x[1] = 0;
    CHECK_ALWAYS(nrx_opt_vr_halpern(component, NULL, 200, 2, NRX_F64, 1.0, NULL, x, &o, &info) == NRX_OK && info.stop == NRX_STOP_TOL);
    CHECK_NEAR(x[0], (a[3] * b[0] - a[1] * b[1]) / det, 2e-2);
    CHECK_NEAR(x[1], (a[0] * b[1] - a[1] * b[0]) / det, 2e-2);
    CHECK(info.evals < 200 * info.iterations); /* cheaper than full passes */
}

/* Optimal transport on a line: n = 8, squared distance, marginals 1..8 and 8..1 over 36. */
static void transport(void)
{
    static const double eps[3] = {0.1, 0.01, 0.001}, cost[3] = {0.160965252669365, 0.128632300707785, 0.126983331267152};
    static const double dual[3] = {-0.190962202414570, 0.101951209687953, 0.124560447641401};
    static const size_t sweeps[2] = {45, 482}, newton[3] = {4, 10, 48};
    double C[64], r[8], c[8], f[8], g[8], P[64], pc;
    size_t i, j;
    int q, sparse;
    for (i = 0; i < 8; i++) { r[i] = (double)(i + 1) / 36; c[7 - i] = r[i]; }
    for (i = 0; i < 8; i++) for (j = 0; j < 8; j++) C[i * 8 + j] = ((double)i - (double)j) * ((double)i - (double)j) / 49;
    for (q = 0; q < 2; q++) {
        nrx_solve_desc o = NRX_ZERO;
        nrx_solve_info info;
        o.tol = 1e-12;
        memset(f, 0, sizeof f);
        memset(g, 0, sizeof g);
        CHECK_ALWAYS(nrx_opt_sinkhorn(8, 8, C, r, c, eps[q], f, g, P, &o, &info) == NRX_OK && info.stop == NRX_STOP_TOL);
        CHECK(info.iterations >= sweeps[q] - 1 && info.iterations <= sweeps[q] + 1);
        for (pc = 0, i = 0; i < 64; i++) pc += P[i] * C[i];
        CHECK_NEAR(pc, cost[q], 1e-11);
        CHECK_NEAR(info.objective, dual[q], 1e-12);
    }
    for (sparse = 0; sparse < 2; sparse++)
        for (q = 0; q < 3; q++) {
            nrx_solve_desc o = NRX_ZERO;
            nrx_solve_info info;
            o.tol = 1e-12; o.memory = 5; o.ratio = sparse ? 4 : 0;
            memset(f, 0, sizeof f);
            memset(g, 0, sizeof g);
            CHECK_ALWAYS(nrx_opt_sinkhorn_newton(8, 8, C, r, c, eps[q], f, g, P, &o, &info) == NRX_OK);
            CHECK(info.residual < 1e-12);
            if (getenv("NRX_SHOW")) printf("sinkhorn-newton eps %g sparse %d: %d Newton steps (table %d), residual %.1e\n", eps[q], sparse, (int)info.restarts, (int)newton[q], info.residual);
            if (!sparse) CHECK(info.restarts <= newton[q] + 2);
            for (pc = 0, i = 0; i < 64; i++) pc += P[i] * C[i];
            if (q < 2) CHECK_NEAR(pc, cost[q], 1e-11);
            else CHECK(pc >= 0.126984126984127 && pc < 0.126984126984127 + 1e-9); /* the unregularised optimum; the table's sweeps had not converged */
        }
}

/* Polyak's step on |x|_1 + |x - 1|_inf type problems with known minimum; the plain step's best value goes like 1/sqrt(k). */
static nrx_status abs_eval(void *user, const void *x, double *value, void *grad)
{
    const double *v = (const double *)x;
    double *g = (double *)grad, f = 0;
    int i;
    (void)user;
    for (i = 0; i < 5; i++) { f += (i + 1) * fabs(v[i] - i); if (g) g[i] = (i + 1) * (double)((v[i] > i) - (v[i] < i)); }
    if (value) *value = f;
    return NRX_OK;
}
static void subgradients(void)
{
    double x[5];
    nrx_functional f = NRX_ZERO;
    nrx_solve_desc o = NRX_ZERO;
    nrx_solve_info info;
    int k;
    f.eval = abs_eval; f.n = 5; f.dtype = NRX_F64; f.convexity = NRX_CONVEX;
    o.use_target = 1; o.tol = 1e-9; o.max_iter = 5000;
    memset(x, 0, sizeof x);
    CHECK_ALWAYS(nrx_opt_subgradient(&f, NULL, x, &o, &info) == NRX_OK && info.stop == NRX_STOP_TOL);
    CHECK_NEAR(x[4], 4, 1e-9);
    memset(&o, 0, sizeof o);
    for (k = 100; k <= 10000; k *= 10) { /* R = sqrt(30), G = sqrt(55): best - min <= G (R^2 + sum s^2)/(2 sum s) */
        double s1 = 0, s2 = 0;
        int i;
        for (i = 0; i <= k; i++) { s1 += 1 / sqrt(i + 1.0); s2 += 1 / (i + 1.0); }
        o.max_iter = (size_t)k;
        memset(x, 0, sizeof x);
        CHECK_ALWAYS(nrx_opt_subgradient(&f, NULL, x, &o, &info) == NRX_OK);
        CHECK(info.objective <= sqrt(55.0) * (30 + s2) / (2 * s1));
    }
}


/* Lasso three ways: ADMM, FISTA and stochastic PDHG agree; f32 too. */
static nrx_status half_eval(void *user, const void *x, double *value, void *grad)
{
    plain *p = (plain *)user;
    size_t i;
    (void)grad;
    for (*value = 0, i = 0; i < p->n; i++) { double e = get(p->dtype, x, i) - p->b[i]; *value += 0.5 * e * e; }
    return NRX_OK;
}
static nrx_status half_prox(void *user, double tau, const void *v, void *x)
{
    plain *p = (plain *)user;
    size_t i;
    for (i = 0; i < p->n; i++) put(p->dtype, x, i, (get(p->dtype, v, i) + tau * p->b[i]) / (1 + tau));
    return NRX_OK;
}
static void lasso(int dtype)
{
    enum { M = 24, N = 16, B = 4 };
    double a[M * N], b[M], bv[M], x[N], y[N], tol = dtype ? 1e-6 : 2e-3;
    dense d, part[B];
    plain p, q[B];
    nrx_linop op, ops[B];
    nrx_functional g = NRX_ZERO, h[B];
    nrx_solve_desc o = NRX_ZERO;
    nrx_solve_info info;
    nrx_test_rng r = {14};
    size_t i;
    double best;
    for (i = 0; i < M * N; i++) a[i] = nrx_test_signed(&r);
    for (i = 0; i < M; i++) { b[i] = nrx_test_signed(&r); put(dtype, bv, i, b[i]); }
    op = dense_op(&d, M, N, dtype, a);
    p.n = N; p.dtype = dtype; p.weight = 0.5; p.b = NULL;
    g.eval = l1_eval; g.prox = l1_prox; g.user = &p; g.n = N; g.dtype = dtype; g.convexity = NRX_CONVEX;
    memset(x, 0, sizeof x);
    o.tol = dtype ? 1e-12 : 1e-6; o.max_iter = 20000;
    CHECK_ALWAYS(nrx_opt_fista(&op, bv, NULL, &g, x, &o, &info) == NRX_OK);
    best = info.objective;
    memset(y, 0, sizeof y);
    o.tol = dtype ? 1e-9 : 1e-5; o.max_iter = 5000;
    CHECK_ALWAYS(nrx_opt_admm(&op, bv, NULL, &g, y, &o, &info) == NRX_OK && info.stop == NRX_STOP_TOL);
    for (i = 0; i < N; i++) CHECK_NEAR(get(dtype, y, i), get(dtype, x, i), tol);
    CHECK_REL(info.objective, best, tol);
    for (i = 0; i < B; i++) {
        ops[i] = dense_op(&part[i], M / B, N, dtype, a + i * (M / B) * N);
        q[i].n = M / B; q[i].dtype = dtype; q[i].weight = 1; q[i].b = b + i * (M / B);
        memset(&h[i], 0, sizeof h[i]);
        h[i].eval = half_eval; h[i].prox = half_prox; h[i].user = &q[i]; h[i].n = M / B; h[i].dtype = dtype;
    }
    memset(y, 0, sizeof y);
    o.tol = dtype ? 1e-10 : 1e-6; o.max_iter = 20000; o.seed = 3;
    CHECK_ALWAYS(nrx_opt_spdhg(ops, h, B, &g, y, &o, &info) == NRX_OK);
    for (i = 0; i < N; i++) CHECK_NEAR(get(dtype, y, i), get(dtype, x, i), tol);
}

static nrx_status nan_eval(void *user, const void *x, double *value, void *grad)
{
    double *g = (double *)grad;
    (void)user; (void)x;
    if (value) *value = NAN;
    if (g) g[0] = NAN;
    return NRX_OK;
}
static void errors(void)
{
    double a[4] = {1, 2, 3, 4}, b[2] = {1, 1}, x[2] = {0.5, 0.25}, one = 1;
    dense d;
    nrx_linop op = dense_op(&d, 2, 2, NRX_F64, a);
    nrx_functional f = NRX_ZERO;
    nrx_solve_desc o = NRX_ZERO;
    nrx_solve_info info;
    nrx_test_log_state log = {0, 0, ""};
    double C[4] = {0, 1, 1, 0}, r[2] = {0.5, 0.5}, c[2] = {0.4, 0.5}, p[2] = {0, 0}, q[2] = {0, 0};
    NRX_TEST_LOG_ENV(o.env, log);
    CHECK_ALWAYS(nrx_opt_cg(NULL, b, x, &o, NULL) == NRX_E_ARG && strstr(log.last, "nrx_opt_cg") != NULL);
    CHECK_ALWAYS(nrx_opt_lsqr(&op, NULL, x, &o, NULL) == NRX_E_ARG && nrx_opt_cgls(&op, b, NULL, &o, NULL) == NRX_E_ARG);
    CHECK_ALWAYS(nrx_opt_fista(NULL, NULL, NULL, NULL, x, &o, NULL) == NRX_E_ARG && nrx_opt_pdhg(&op, NULL, NULL, NULL, x, NULL, &o, NULL) == NRX_E_ARG);
    CHECK_ALWAYS(nrx_opt_halpern(NULL, NULL, 2, NRX_F64, x, &o, NULL) == NRX_E_ARG && nrx_opt_lbfgs(NULL, x, &o, NULL) == NRX_E_ARG);
    CHECK_ALWAYS(nrx_opt_sinkhorn(2, 2, C, r, c, 0.1, p, q, NULL, &o, NULL) == NRX_E_ARG && strstr(log.last, "0.9") != NULL);
    c[0] = 0.5;
    CHECK_ALWAYS(nrx_opt_sinkhorn(2, 2, C, r, c, -0.1, p, q, NULL, &o, NULL) == NRX_E_ARG);
    f.eval = nan_eval; f.n = 1; f.dtype = NRX_F64;
    CHECK_ALWAYS(nrx_opt_lbfgs(&f, &one, &o, &info) == NRX_E_NUMERIC && info.stop == NRX_STOP_NUMERIC && one == 1);
    CHECK_ALWAYS(nrx_opt_bb(&f, &one, &o, &info) == NRX_E_NUMERIC && nrx_opt_subgradient(&f, NULL, &one, &o, &info) == NRX_E_NUMERIC && one == 1);
    b[0] = INFINITY;
    CHECK_ALWAYS(nrx_opt_minres(&op, b, x, &o, NULL) == NRX_E_NUMERIC && nrx_opt_gmres(&op, b, x, &o, NULL) == NRX_E_NUMERIC && nrx_opt_bicgstab(&op, b, x, &o, NULL) == NRX_E_NUMERIC);
    CHECK_ALWAYS(x[0] == 0.5 && x[1] == 0.25);
}

#if defined(NRX_TEST_ALLOC)
static void allocations(void)
{
    double a[4] = {2, 1, 1, 3}, b[2] = {1, 2}, x[2] = {0, 0}, C[4] = {0, 1, 1, 0}, r[2] = {0.5, 0.5}, p[2] = {0, 0}, q[2] = {0, 0}, y[2] = {0.1, 1.6};
    dense d;
    plain l = {2, NRX_F64, 0.1, b};
    rosen ro = {2, NRX_F64, 0};
    nrx_linop op = dense_op(&d, 2, 2, NRX_F64, a);
    nrx_functional g = NRX_ZERO, h = NRX_ZERO, f = NRX_ZERO;
    nrx_solve_desc o = NRX_ZERO;
    nrx_test_heap heap;
    int zero = 0;
    g.eval = l1_eval; g.prox = l1_prox; g.user = &l; g.n = 2; g.dtype = NRX_F64;
    h.eval = half_eval; h.prox = half_prox; h.user = &l; h.n = 2; h.dtype = NRX_F64;
    f.eval = rosen_eval; f.user = &ro; f.n = 2; f.dtype = NRX_F64;
    o.max_iter = 5;
    NRX_TEST_EACH_ALLOC(o.env, heap, nrx_opt_minres(&op, b, x, &o, NULL), (void)0);
    NRX_TEST_EACH_ALLOC(o.env, heap, nrx_opt_gmres(&op, b, x, &o, NULL), (void)0);
    NRX_TEST_EACH_ALLOC(o.env, heap, nrx_opt_bicgstab(&op, b, x, &o, NULL), (void)0);
    NRX_TEST_EACH_ALLOC(o.env, heap, nrx_opt_admm(&op, b, NULL, &g, x, &o, NULL), (void)0);
    NRX_TEST_EACH_ALLOC(o.env, heap, nrx_opt_spdhg(&op, &h, 1, &g, x, &o, NULL), (void)0);
    NRX_TEST_EACH_ALLOC(o.env, heap, nrx_opt_lbfgs(&f, x, &o, NULL), (void)0);
    NRX_TEST_EACH_ALLOC(o.env, heap, nrx_opt_ncg(&f, x, &o, NULL), (void)0);
    NRX_TEST_EACH_ALLOC(o.env, heap, nrx_opt_bb(&f, x, &o, NULL), (void)0);
    NRX_TEST_EACH_ALLOC(o.env, heap, nrx_opt_subgradient(&f, NULL, x, &o, NULL), (void)0);
    NRX_TEST_EACH_ALLOC(o.env, heap, nrx_opt_levenberg(decay_fit, NULL, 30, 2, y, &o, NULL), (void)0);
    NRX_TEST_EACH_ALLOC(o.env, heap, nrx_opt_halpern(turn, &zero, 2, NRX_F64, x, &o, NULL), (void)0);
    NRX_TEST_EACH_ALLOC(o.env, heap, nrx_opt_anderson(turn, &zero, 2, NRX_F64, x, &o, NULL), (void)0);
    NRX_TEST_EACH_ALLOC(o.env, heap, nrx_opt_vr_halpern(component, NULL, 9, 2, NRX_F64, 1, NULL, x, &o, NULL), (void)0);
    NRX_TEST_EACH_ALLOC(o.env, heap, nrx_opt_sinkhorn(2, 2, C, r, r, 0.1, p, q, NULL, &o, NULL), (void)0);
    NRX_TEST_EACH_ALLOC(o.env, heap, nrx_opt_sinkhorn_newton(2, 2, C, r, r, 0.1, p, q, NULL, &o, NULL), (void)0);
}
#endif

int main(void)
{
#if defined(NRX_TEST_ALLOC)
    allocations();
#else
    krylov(NRX_F64);
    krylov(NRX_F32);
    rosenbrock();
    rosenbrock_table();
    line_searches();
    levenberg();
    fixed_points();
    transport();
    subgradients();
    lasso(NRX_F64);
    lasso(NRX_F32);
    errors();
#endif
    return nrx_test_end();
}
