/* The solve block: Krylov methods, gradient methods, PDHG on problems with known answers; both precisions, errors, cancelling.
   SPDX-License-Identifier: MIT-0 OR Unlicense
   run: alloc */
#define NRX_TEST_DENSE
#include "nrx_test.h"
#define NRX_OPTIM_IMPLEMENTATION
#include "nrx_optim.h"
#include "nrx_test.h"

/* Oracle: Gaussian elimination with partial pivoting. */
static void gauss(size_t n, double *a, double *b)
{
    size_t i, j, k;
    for (k = 0; k < n; k++) {
        size_t p = k;
        for (i = k + 1; i < n; i++) if (fabs(a[i * n + k]) > fabs(a[p * n + k])) p = i;
        for (j = 0; j < n; j++) { double t = a[k * n + j]; a[k * n + j] = a[p * n + j]; a[p * n + j] = t; }
        { double t = b[k]; b[k] = b[p]; b[p] = t; }
        for (i = k + 1; i < n; i++) {
            double f = a[i * n + k] / a[k * n + k];
            for (j = k; j < n; j++) a[i * n + j] -= f * a[k * n + j];
            b[i] -= f * b[k];
        }
    }
    for (k = n; k-- > 0;) {
        for (j = k + 1; j < n; j++) b[k] -= a[k * n + j] * b[j];
        b[k] /= a[k * n + k];
    }
}

static void cg_tridiagonal(void)
{
    enum { N = 32 };
    static double a[N * N], hist[64];
    double b[N], x[N];
    dense d;
    nrx_linop op = dense_op(&d, N, N, NRX_F64, a);
    nrx_solve_desc o = NRX_ZERO;
    nrx_solve_info info;
    int i;
    for (i = 0; i < N; i++) {
        a[i * N + i] = 2;
        if (i) a[i * N + i - 1] = a[(i - 1) * N + i] = -1;
        b[i] = 1;
        x[i] = 0;
    }
    o.tol = 1e-14; o.history = hist; o.history_size = 64;
    CHECK_ALWAYS(nrxi_solve_cg("cg", &op, b, x, &o, &info) == NRX_OK);
    CHECK(info.stop == NRX_STOP_TOL && info.iterations == 16 && info.history_count == 16);
    CHECK_NEAR(hist[14] * sqrt(32.0), 2.0, 1e-12); /* |r_15| = 2 */
    for (i = 0; i < N; i++) CHECK_NEAR(x[i], (i + 1) * (33.0 - (i + 1)) / 2, 1e-11);
    /* indefinite operators are noticed */
    a[0] = -2;
    memset(x, 0, sizeof x);
    CHECK_ALWAYS(nrxi_solve_cg("cg", &op, b, x, &o, &info) == NRX_OK);
    CHECK(info.stop == NRX_STOP_INDEFINITE);
    memset(b, 0, sizeof b);
    memset(x, 0, sizeof x);
    CHECK(nrxi_solve_cg("cg", &op, b, x, &o, &info) == NRX_OK && info.stop == NRX_STOP_EXACT);
}

static void least_squares(int dtype)
{
    enum { M = 30, N = 12 };
    double a[M * N], b[M], normal[N * N], rhs[N], tol = dtype == NRX_F32 ? 2e-4 : 1e-9, bb[M], xx[N];
    nrx_test_rng r = {77};
    int i, j, k, damped, method;
    dense d;
    nrx_linop op = dense_op(&d, M, N, dtype, a);
    for (i = 0; i < M * N; i++) a[i] = nrx_test_signed(&r);
    for (i = 0; i < M; i++) { b[i] = nrx_test_signed(&r); put(dtype, bb, (size_t)i, b[i]); }
    for (damped = 0; damped < 2; damped++) {
        double damp = damped ? 0.7 : 0;
        for (i = 0; i < N; i++) {
            rhs[i] = 0;
            for (k = 0; k < M; k++) rhs[i] += a[k * N + i] * b[k];
            for (j = 0; j < N; j++) {
                normal[i * N + j] = i == j ? damp * damp : 0;
                for (k = 0; k < M; k++) normal[i * N + j] += a[k * N + i] * a[k * N + j];
            }
        }
        gauss(N, normal, rhs);
        for (method = 0; method < 3; method++) {
            nrx_solve_desc o = NRX_ZERO;
            nrx_solve_info info;
            if (method == 2 && damped) continue;
            o.damp = damp;
            if (dtype == NRX_F64) o.tol = 1e-12;
            for (j = 0; j < N; j++) put(dtype, xx, (size_t)j, method == 0 ? 0.3 : 0); /* CGLS from a non-zero start */
            if (method == 0) CHECK_ALWAYS(nrxi_solve_cgls("cgls", &op, bb, xx, &o, &info) == NRX_OK);
            if (method == 1) CHECK_ALWAYS(nrxi_solve_lsqr("lsqr", &op, bb, xx, &o, &info) == NRX_OK);
            if (method == 2) {
                if (dtype == NRX_F64) o.tol = 1e-11;
                CHECK_ALWAYS(nrxi_solve_smooth("smooth", &op, bb, NULL, NULL, xx, &o, &info) == NRX_OK);
            } else CHECK(info.iterations <= N + 4);
            CHECK(info.stop == NRX_STOP_TOL);
            for (j = 0; j < N; j++) CHECK_NEAR(get(dtype, xx, (size_t)j), rhs[j], tol);
            if (method < 2) { /* the objective reported is that of the oracle */
                double f = 0.5 * damp * damp * 0;
                for (i = 0; i < M; i++) {
                    double s = -b[i];
                    for (j = 0; j < N; j++) s += a[i * N + j] * rhs[j];
                    f += 0.5 * s * s;
                }
                for (j = 0; j < N; j++) f += 0.5 * damp * damp * rhs[j] * rhs[j];
                CHECK_REL(info.objective, f, dtype == NRX_F32 ? 1e-5 : 1e-10);
            }
        }
    }
}

/* ---- functionals ---- */

/* mean log(1 + exp(-y x^T w)) + 0.05 |w|^2 on twenty points */
static nrx_status logistic_eval(void *user, const void *x, double *value, void *grad)
{
    const double *w = (const double *)x;
    double g[3] = {0, 0, 0}, f = 0;
    int i, j;
    (void)user;
    for (i = 1; i <= 20; i++) {
        double p[3], y = cos(i) + 0.5 * sin(2.0 * i) + 0.3 * sin(7.0 * i) > 0 ? 1 : -1, z;
        p[0] = 1; p[1] = cos(i); p[2] = sin(2.0 * i);
        z = y * (p[0] * w[0] + p[1] * w[1] + p[2] * w[2]);
        f += log1p(exp(-z)) / 20;
        for (j = 0; j < 3; j++) g[j] -= y * p[j] / (1 + exp(z)) / 20;
    }
    for (j = 0; j < 3; j++) { f += 0.05 * w[j] * w[j]; g[j] += 0.1 * w[j]; }
    if (value) *value = f;
    if (grad) memcpy(grad, g, sizeof g);
    return NRX_OK;
}

static void logistic(void)
{
    static const double w_star[3] = {-0.037889388067944, 1.424375926530771, 0.233556638819992};
    int method, known;
    for (known = 0; known < 2; known++)
        for (method = 1; method <= 3; method++) {
            nrx_functional f = NRX_ZERO;
            nrx_solve_desc o = NRX_ZERO;
            nrx_solve_info info;
            double w[3] = {0, 0, 0};
            f.eval = logistic_eval; f.n = 3; f.dtype = NRX_F64; f.convexity = NRX_CONVEX;
            if (known) { f.lip = 0.85; f.mu = 0.1; }
            o.method = method; o.tol = 1e-10; o.max_iter = 5000;
            CHECK_ALWAYS(nrxi_solve_smooth("smooth", NULL, NULL, &f, NULL, w, &o, &info) == NRX_OK);
            CHECK(info.stop == NRX_STOP_TOL);
            CHECK_NEAR(w[0], w_star[0], 2e-9);
            CHECK_NEAR(w[1], w_star[1], 2e-9);
            CHECK_NEAR(w[2], w_star[2], 2e-9);
            CHECK_NEAR(info.objective, 0.482506025404418, 1e-14);
            if (known && method < 3) CHECK(info.gap >= 0 && info.gap < 1e-15);
            else CHECK(info.gap < 0);
        }
}

/* Lasso in both precisions: the optimality conditions, and FISTA's bound 2 L |x0 - x*|^2 / (k+1)^2 at every k. */
static void lasso(int dtype)
{
    enum { M = 20, N = 40 };
    double a[M * N], b[M], x[N], hist[2000], xs[N], best, l2 = 0, tol = dtype == NRX_F32 ? 2e-3 : 1e-7;
    nrx_test_rng r = {5};
    dense d;
    plain p;
    nrx_linop op = dense_op(&d, M, N, dtype, a);
    nrx_functional g = NRX_ZERO;
    nrx_solve_desc o = NRX_ZERO;
    nrx_solve_info info;
    size_t i, j, k;
    for (i = 0; i < M * N; i++) a[i] = nrx_test_signed(&r);
    for (i = 0; i < M; i++) put(dtype, b, i, nrx_test_signed(&r));
    p.n = N; p.dtype = dtype; p.weight = 0.4;
    g.eval = l1_eval; g.prox = l1_prox; g.user = &p; g.n = N; g.dtype = dtype; g.convexity = NRX_CONVEX;
    for (i = 0; i < N; i++) put(dtype, x, i, 0);
    o.tol = dtype == NRX_F32 ? 1e-6 : 1e-11; o.max_iter = 20000;
    CHECK_ALWAYS(nrxi_solve_smooth("smooth", &op, b, NULL, &g, x, &o, &info) == NRX_OK);
    best = info.objective;
    if (dtype == NRX_F64) CHECK(info.stop == NRX_STOP_TOL);
    for (j = 0; j < N; j++) { /* A^T(b - Ax) is in weight times the subdifferential of |x| */
        double s = 0, xj = get(dtype, x, j);
        for (i = 0; i < M; i++) {
            double res = get(dtype, b, i);
            for (k = 0; k < N; k++) res -= a[i * N + k] * get(dtype, x, k);
            s += a[i * N + j] * res;
        }
        if (xj != 0) CHECK_NEAR(s, xj > 0 ? 0.4 : -0.4, tol);
        else CHECK(fabs(s) <= 0.4 + tol);
        xs[j] = xj;
    }
    if (dtype == NRX_F32) return;
    CHECK_ALWAYS(nrxi_solve_norm("norm", &op, 500, &op.norm, NULL) == NRX_OK);
    op.norm *= 1.0000001;
    for (j = 0; j < N; j++) l2 += xs[j] * xs[j];
    o.no_restart = 1; o.tol = -1; o.max_iter = 2000; o.method = NRX_SOLVE_ACCELERATED; o.history = hist; o.history_size = 2000;
    memset(x, 0, sizeof x);
    CHECK_ALWAYS(nrxi_solve_smooth("smooth", &op, b, NULL, &g, x, &o, &info) == NRX_OK);
    CHECK(info.stop == NRX_STOP_MAX_ITER && info.history_count == 2000);
    for (k = 1; k <= 2000; k++) CHECK(hist[k - 1] - best <= 2 * op.norm * op.norm * l2 / ((double)(k + 1) * (double)(k + 1)) + 1e-12);
}

/* Non-negative least squares: Karush-Kuhn-Tucker. */
static void nonnegative(void)
{
    enum { M = 25, N = 15 };
    double a[M * N], b[M], x[N];
    nrx_test_rng r = {9};
    dense d;
    nrx_linop op = dense_op(&d, M, N, NRX_F64, a);
    nrx_solve_desc o = NRX_ZERO;
    nrx_solve_info info;
    size_t i, j, k;
    int active = 0, method;
    for (i = 0; i < M * N; i++) a[i] = nrx_test_signed(&r);
    for (i = 0; i < M; i++) b[i] = nrx_test_signed(&r);
    for (method = 1; method <= 3; method++) {
        memset(x, 0, sizeof x);
        o.use_lower = 1; o.tol = 1e-11; o.max_iter = 20000; o.method = method;
        CHECK_ALWAYS(nrxi_solve_smooth("smooth", &op, b, NULL, NULL, x, &o, &info) == NRX_OK);
        CHECK(info.stop == NRX_STOP_TOL);
        for (j = 0; j < N; j++) {
            double s = 0;
            for (i = 0; i < M; i++) {
                double res = -b[i];
                for (k = 0; k < N; k++) res += a[i * N + k] * x[k];
                s += a[i * N + j] * res;
            }
            CHECK(x[j] >= 0 && s >= -1e-8);
            CHECK_NEAR(x[j] * s, 0, 1e-8);
            active += x[j] == 0;
        }
    }
    CHECK(active > 6);
}

/* 1/4 (|x|^2 - 1)^2 + small tilt: non-convex, minima near +-1. nmAPG must reach a stationary point and never leave the level set. */
static nrx_status wells_eval(void *user, const void *x, double *value, void *grad)
{
    const double *v = (const double *)x;
    double *g = (double *)grad;
    size_t i, n = *(const size_t *)user;
    if (value) *value = 0;
    for (i = 0; i < n; i++) {
        double q = v[i] * v[i] - 1;
        if (value) *value += 0.25 * q * q + 0.1 * v[i];
        if (g) g[i] = q * v[i] + 0.1;
    }
    return NRX_OK;
}
static void non_convex(void)
{
    enum { N = 10 };
    size_t n = N, i;
    double x[N], hist[500], top = -1e9;
    nrx_functional f = NRX_ZERO;
    nrx_solve_desc o = NRX_ZERO;
    nrx_solve_info info;
    f.eval = wells_eval; f.user = &n; f.n = N; f.dtype = NRX_F64; f.convexity = NRX_WEAKLY_CONVEX; f.rho = 1;
    for (i = 0; i < N; i++) x[i] = 0.02 * (double)i - 0.05;
    o.tol = 1e-9; o.max_iter = 500; o.history = hist; o.history_size = 500;
    CHECK_ALWAYS(nrxi_solve_smooth("smooth", NULL, NULL, &f, NULL, x, &o, &info) == NRX_OK);
    CHECK(info.stop == NRX_STOP_TOL && info.gap < 0);
    for (i = 0; i < N; i++) CHECK_NEAR((x[i] * x[i] - 1) * x[i] + 0.1, 0, 1e-7);
    for (i = 0; i < info.history_count; i++) if (hist[i] > top) top = hist[i];
    CHECK(top < 2.51 && info.objective < -0.5); /* the start has about 2.5 */
}

/* ---- total variation denoising (Rudin, Osher, Fatemi) of a 16 x 16 image; optimum from a long independent run ---- */

enum { W = 16 };
typedef struct { int dtype; double f[W * W], weight; } rof;

static nrx_status grad_apply(void *user, const void *x, void *y)
{
    int dtype = *(const int *)user;
    size_t i, j;
    for (i = 0; i < W; i++)
        for (j = 0; j < W; j++) {
            double u = get(dtype, x, i * W + j);
            put(dtype, y, i * W + j, j + 1 < W ? get(dtype, x, i * W + j + 1) - u : 0);
            put(dtype, y, W * W + i * W + j, i + 1 < W ? get(dtype, x, (i + 1) * W + j) - u : 0);
        }
    return NRX_OK;
}
static nrx_status grad_adjoint(void *user, const void *y, void *x)
{
    int dtype = *(const int *)user;
    size_t i, j;
    for (i = 0; i < W; i++)
        for (j = 0; j < W; j++) {
            double s = 0;
            if (j + 1 < W) s -= get(dtype, y, i * W + j);
            if (j > 0) s += get(dtype, y, i * W + j - 1);
            if (i + 1 < W) s -= get(dtype, y, W * W + i * W + j);
            if (i > 0) s += get(dtype, y, W * W + (i - 1) * W + j);
            put(dtype, x, i * W + j, s);
        }
    return NRX_OK;
}
static nrx_status data_eval(void *user, const void *x, double *value, void *grad)
{
    rof *p = (rof *)user;
    double s = 0;
    size_t i;
    for (i = 0; i < W * W; i++) { double e = get(p->dtype, x, i) - p->f[i]; s += 0.5 * e * e; if (grad) put(p->dtype, grad, i, e); }
    if (value) *value = s;
    return NRX_OK;
}
static nrx_status data_prox(void *user, double tau, const void *v, void *x)
{
    rof *p = (rof *)user;
    size_t i;
    for (i = 0; i < W * W; i++) put(p->dtype, x, i, (get(p->dtype, v, i) + tau * p->f[i]) / (1 + tau));
    return NRX_OK;
}
static nrx_status tv_eval(void *user, const void *x, double *value, void *grad)
{
    rof *p = (rof *)user;
    size_t i;
    (void)grad;
    for (*value = 0, i = 0; i < W * W; i++) *value += p->weight * hypot(get(p->dtype, x, i), get(p->dtype, x, W * W + i));
    return NRX_OK;
}
static nrx_status tv_prox(void *user, double tau, const void *v, void *x)
{
    rof *p = (rof *)user;
    size_t i;
    for (i = 0; i < W * W; i++) {
        double a = get(p->dtype, v, i), b = get(p->dtype, v, W * W + i), n = hypot(a, b), s = n > tau * p->weight ? 1 - tau * p->weight / n : 0;
        put(p->dtype, x, i, s * a);
        put(p->dtype, x, W * W + i, s * b);
    }
    return NRX_OK;
}
static void rof_make(rof *p, int dtype, nrx_linop *op, nrx_functional *g, nrx_functional *h)
{
    int i, j;
    memset(op, 0, sizeof *op);
    memset(g, 0, sizeof *g);
    memset(h, 0, sizeof *h);
    p->dtype = dtype;
    p->weight = 0.2;
    for (i = 0; i < W; i++)
        for (j = 0; j < W; j++) p->f[i * W + j] = ((i - 7.5) * (i - 7.5) + (j - 7.5) * (j - 7.5) < 25) + 0.25 * sin(3.0 * i + 5.0 * j);
    op->apply = grad_apply; op->adjoint = grad_adjoint; op->user = &p->dtype; op->rows = 2 * W * W; op->cols = W * W; op->dtype = dtype;
    g->eval = data_eval; g->prox = data_prox; g->user = p; g->n = W * W; g->dtype = dtype; g->convexity = NRX_CONVEX; g->mu = 1; g->lip = 1;
    h->eval = tv_eval; h->prox = tv_prox; h->user = p; h->n = 2 * W * W; h->dtype = dtype; h->convexity = NRX_CONVEX;
}

#define ROF_OPTIMUM 10.5952497250921

static void denoise(void)
{
    static rof p;
    static double u[W * W], y[2 * W * W];
    nrx_linop op;
    nrx_functional g, h;
    nrx_solve_desc o = NRX_ZERO;
    nrx_solve_info info;
    double sum = 0, norm;
    int i, mode;
    for (mode = 0; mode < 5; mode++) {
        rof_make(&p, NRX_F64, &op, &g, &h);
        memset(u, 0, sizeof u);
        memset(y, 0, sizeof y);
        memset(&o, 0, sizeof o);
        o.max_iter = 40000; o.tol = 1e-8;
        if (mode == 1) { o.gamma = -1; o.step = 0.1; op.norm = sqrt(8.0); }
        if (mode == 2) { o.adaptive = 1; o.tol = 1e-6; }
        if (mode == 3) { g.mu = 0; o.tol = 1e-7; o.step = 0.1; }        /* no certificate: stops on the residuals */
        if (mode == 4) { g.prox = NULL; }                       /* Condat-Vu: data term by its gradient */
        CHECK_ALWAYS(nrxi_solve_pdhg("pdhg", &op, mode == 4 ? NULL : &g, &h, mode == 4 ? &g : NULL, u, y, &o, &info) == NRX_OK);
        CHECK(info.stop == (mode < 3 ? NRX_STOP_GAP : NRX_STOP_TOL));
        CHECK_NEAR(info.objective, ROF_OPTIMUM, mode == 2 ? 2e-5 : mode < 2 ? 2e-7 : 5e-7);
        if (mode < 3) CHECK(info.gap >= info.objective - ROF_OPTIMUM - 1e-11);
        if (mode == 0) CHECK(info.iterations < 6000);
    }
    rof_make(&p, NRX_F64, &op, &g, &h);
    CHECK_ALWAYS(nrxi_solve_norm("norm", &op, 3000, &norm, NULL) == NRX_OK);
    CHECK_NEAR(norm * norm, 7.923141121612921, 1e-6);
    memset(u, 0, sizeof u);
    memset(&o, 0, sizeof o);
    o.max_iter = 100000; o.tol = 1e-11;
    CHECK_ALWAYS(nrxi_solve_pdhg("pdhg", &op, &g, &h, NULL, u, NULL, &o, &info) == NRX_OK);
    CHECK_NEAR(info.objective, ROF_OPTIMUM, 2e-10);
    CHECK_NEAR(u[0], 0.0322621651, 2e-5);
    CHECK_NEAR(u[7 * W + 7], 0.9383346548, 2e-5);
    for (i = 0; i < W * W; i++) sum += u[i];
    CHECK_NEAR(sum, 80.0861318376, 1e-4);
    /* f32 */
    rof_make(&p, NRX_F32, &op, &g, &h);
    memset(u, 0, sizeof u);
    memset(&o, 0, sizeof o);
    o.max_iter = 5000; o.tol = 1e-5;
    CHECK_ALWAYS(nrxi_solve_pdhg("pdhg", &op, &g, &h, NULL, u, NULL, &o, &info) == NRX_OK);
    CHECK_NEAR(info.objective, ROF_OPTIMUM, 1.5e-4);
}

/* ---- bad input, cancelling, failing callbacks ---- */

static int cancel_at_three(void *user, size_t done, size_t total, double value)
{
    (void)total; (void)value;
    ++*(int *)user;
    return done >= 3;
}

static void errors(void)
{
    enum { N = 8 };
    double a[N * N], b[N], x[N], keep[N];
    dense d;
    nrx_linop op = dense_op(&d, N, N, NRX_F64, a), bad;
    nrx_solve_desc o = NRX_ZERO;
    nrx_solve_info info;
    nrx_test_log_state log = {0, 0, ""};
    int i, calls = 0;
    for (i = 0; i < N * N; i++) a[i] = 1.0 / (1.0 + i / N + i % N) + (i % (N + 1) == 0);
    for (i = 0; i < N; i++) { b[i] = 1 + i; x[i] = 0; }
    NRX_TEST_LOG_ENV(o.env, log);
    o.tol = -1;
    o.env.progress = cancel_at_three;
    o.env.progress_user = &calls;
    CHECK_ALWAYS(nrxi_solve_cgls("nrx_x", &op, b, x, &o, &info) == NRX_E_CANCELLED);
    CHECK(calls == 3 && info.iterations == 3 && info.stop == NRX_STOP_CANCELLED);
    o.env.progress = NULL;
    bad = op;
    bad.adjoint = NULL;
    CHECK_ALWAYS(nrxi_solve_cgls("nrx_x", &bad, b, x, &o, &info) == NRX_E_ARG);
    CHECK_ALWAYS(strstr(log.last, "nrx_x") && strstr(log.last, "adjoint"));
    bad = op;
    bad.cols = N + 1;
    CHECK_ALWAYS(nrxi_solve_cg("nrx_x", &bad, b, x, &o, &info) == NRX_E_SHAPE);
    CHECK_ALWAYS(strstr(log.last, "8x9") != NULL);
    bad.cols = (size_t)-1 / 8;
    bad.rows = bad.cols;
    CHECK_ALWAYS(nrxi_solve_cg("nrx_x", &bad, b, x, &o, &info) == NRX_E_RANGE);
    d.fail_at = 4;
    CHECK_ALWAYS(nrxi_solve_cgls("nrx_x", &op, b, x, &o, &info) == NRX_E_IO && info.stop == NRX_STOP_CALLBACK);
    d.fail_at = 0;
    memset(x, 0, sizeof x);
    o.max_iter = 4;
    CHECK_ALWAYS(nrxi_solve_cgls("nrx_x", &op, b, x, &o, &info) == NRX_OK && info.stop == NRX_STOP_MAX_ITER);
    memcpy(keep, x, sizeof x);
    b[3] = NAN;
    CHECK_ALWAYS(nrxi_solve_cgls("nrx_x", &op, b, x, &o, &info) == NRX_E_NUMERIC && info.stop == NRX_STOP_NUMERIC);
    CHECK_ALWAYS(nrxi_solve_lsqr("nrx_x", &op, b, x, &o, &info) == NRX_E_NUMERIC);
    CHECK_ALWAYS(nrxi_solve_cg("nrx_x", &op, b, x, &o, &info) == NRX_E_NUMERIC);
    CHECK_ALWAYS(nrxi_solve_smooth("nrx_x", &op, b, NULL, NULL, x, &o, &info) == NRX_E_NUMERIC);
    CHECK_ALWAYS(memcmp(keep, x, sizeof x) == 0);
    CHECK_ALWAYS(strcmp(nrx_stop_string(NRX_STOP_TOL), "residual below the tolerance") == 0);
    CHECK_ALWAYS(strcmp(nrx_stop_string(99), "unknown stop reason") == 0);
}

#if defined(NRX_TEST_ALLOC)
static void allocations(void)
{
    double a[4] = {2, 1, 1, 3}, b[2] = {1, 2}, x[2] = {0, 0};
    dense d;
    nrx_linop op = dense_op(&d, 2, 2, NRX_F64, a);
    nrx_solve_desc o = NRX_ZERO;
    nrx_test_heap heap;
    nrx_functional g, h;
    static rof p;
    static double u[W * W];
    nrx_linop k;
    NRX_TEST_EACH_ALLOC(o.env, heap, nrxi_solve_cg("x", &op, b, x, &o, NULL), (void)0);
    NRX_TEST_EACH_ALLOC(o.env, heap, nrxi_solve_cgls("x", &op, b, x, &o, NULL), (void)0);
    NRX_TEST_EACH_ALLOC(o.env, heap, nrxi_solve_lsqr("x", &op, b, x, &o, NULL), (void)0);
    NRX_TEST_EACH_ALLOC(o.env, heap, nrxi_solve_smooth("x", &op, b, NULL, NULL, x, &o, NULL), (void)0);
    o.method = NRX_SOLVE_NMAPG;
    NRX_TEST_EACH_ALLOC(o.env, heap, nrxi_solve_smooth("x", &op, b, NULL, NULL, x, &o, NULL), (void)0);
    rof_make(&p, NRX_F64, &k, &g, &h);
    NRX_TEST_EACH_ALLOC(o.env, heap, nrxi_solve_pdhg("x", &k, &g, &h, NULL, u, NULL, &o, NULL), (void)0);
}
#endif

int main(void)
{
#if defined(NRX_TEST_ALLOC)
    allocations();
#else
    cg_tridiagonal();
    least_squares(NRX_F64);
    least_squares(NRX_F32);
    logistic();
    lasso(NRX_F64);
    lasso(NRX_F32);
    nonnegative();
    non_convex();
    denoise();
    errors();
#endif
    return nrx_test_end();
}
