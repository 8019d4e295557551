/* Bilevel learning, data order and its audit, operator factorization: closed forms and statistics.
   SPDX-License-Identifier: MIT-0 OR Unlicense
   run: alloc */
#include "nrx_test.h"
#define NRX_OPTIM_IMPLEMENTATION
#include "nrx_optim.h"
#include "nrx_test.h"

/* h = 1/2 (x - y)^2 + theta/2 x^2, g = 1/2 (x - xt)^2 with y = 2, xt = 1: xhat = y/(1+theta), optimum theta = 1. theta = exp(s) - 1 is not needed:
   the run stays in theta > -0.5. */
static nrx_status lower_grad(void *user, const double *t, const double *x, double *g) { (void)user; g[0] = x[0] - 2 + t[0] * x[0]; return NRX_OK; }
static nrx_status lower_hess(void *user, const double *t, const double *x, const double *v, double *hv) { (void)user; (void)x; hv[0] = (1 + t[0]) * v[0]; return NRX_OK; }
static nrx_status cross(void *user, const double *t, const double *x, const double *q, double *out) { (void)user; (void)t; out[0] = x[0] * q[0]; return NRX_OK; }
static nrx_status upper(void *user, const double *x, double *value, double *grad) { (void)user; if (value) *value = 0.5 * (x[0] - 1) * (x[0] - 1); if (grad) grad[0] = x[0] - 1; return NRX_OK; }
static void bilevel(void)
{
    int method, i;
    for (method = 0; method < 3; method++) {
        nrx_opt_bilevel_problem p = NRX_ZERO;
        nrx_opt_bilevel_desc d = NRX_ZERO;
        nrx_opt_bilevel_info info;
        double theta = 0.1, x = 0, hist[500];
        p.n = p.p = 1;
        p.lower_grad = lower_grad; p.lower_hess = lower_hess; p.cross = cross; p.upper = upper;
        p.mu = 1; p.lip = 4; p.upper_lip = 1; p.cross_norm = 2; p.hess_lip = 0; p.cross_lip = 1;
        d.method = method; d.max_iter = 400; d.step = method ? 1.0 : 0; d.history = hist; d.history_size = 500; d.tol = 1e-7;
        if (method) d.epsilon = 1e-10;
        CHECK_ALWAYS(nrx_opt_bilevel(&p, &theta, &x, &d, &info) == NRX_OK);
        CHECK(info.stop == NRX_STOP_TOL);
        CHECK_NEAR(theta, 1, method == 0 ? 1e-5 : 1e-6);
        CHECK_NEAR(x, 1, 1e-5);
        if (method == 0) { /* the certificate holds, and every accepted step decreases */
            double exact = -(x - 1) * 2 / ((1 + theta) * (1 + theta));
            (void)exact;
            CHECK(info.error <= 1e-7 && info.epsilon < 0.1);
            for (i = 1; i < (int)info.history_count; i++) CHECK(hist[i] <= hist[i - 1] + 0.1 * pow(0.8, i)); /* values are as accurate as epsilon */
        }
    }
    { /* the hypergradient itself, and its bound, at several accuracies */
        nrx_opt_bilevel_problem p = NRX_ZERO;
        nrx_opt_bilevel_desc d = NRX_ZERO;
        nrx_opt_bilevel_info info;
        double eps;
        p.n = p.p = 1;
        p.lower_grad = lower_grad; p.lower_hess = lower_hess; p.cross = cross; p.upper = upper;
        p.mu = 1.5; p.lip = 4; p.upper_lip = 1; p.cross_norm = 2; p.cross_lip = 1;
        for (eps = 1e-1; eps > 1e-9; eps *= 0.1) {
            double theta = 0.5, x = 3, xhat = 2 / 1.5, want = fabs((xhat - 1) * 2 / 2.25);
            d.method = NRX_BILEVEL_IMPLICIT; d.epsilon = d.delta = eps; d.step = 1e-300; d.max_iter = 1; d.tol = 1e-12;
            CHECK_ALWAYS(nrx_opt_bilevel(&p, &theta, &x, &d, &info) == NRX_OK);
            CHECK(fabs(x - xhat) <= eps);
            CHECK(fabs(info.hypergradient - want) <= info.error);
        }
        p.mu = -1;
        { double theta = 1, x = 1; CHECK_ALWAYS(nrx_opt_bilevel(&p, &theta, &x, &d, &info) == NRX_E_ARG); }
    }
}

/* Two problems with several parameters and a closed form.
   source: h = 1/2 x.A x - x.(B theta + b), g = 1/2 |x - xt|^2: xhat = A^-1 (B theta + b), a linear least-squares problem in theta.
   modes: h = 1/2 |x - y|^2 + 1/2 sum_j theta_j (v_j . x)^2 with orthonormal v_j (columns of a reflection), the same g, where xt is made so that
   theta_j = (v_j . y)/(v_j . xt) - 1 is the optimum, whatever y. */
enum { BN = 8, BP = 4 };
typedef struct { double A[BN][BN], B[BN][BP], b[BN], V[BN][BN], y[BN], xt[BN]; int modes; } wide;
static double along(const wide *w, int j, const double *x) { double s = 0; int i; for (i = 0; i < BN; i++) s += w->V[i][j] * x[i]; return s; }
static nrx_status wide_grad(void *user, const double *t, const double *x, double *g)
{
    const wide *w = (const wide *)user;
    int i, j;
    for (i = 0; i < BN; i++) {
        g[i] = w->modes ? x[i] - w->y[i] : -w->b[i];
        if (w->modes) for (j = 0; j < BP; j++) g[i] += t[j] * along(w, j, x) * w->V[i][j];
        else {
            for (j = 0; j < BN; j++) g[i] += w->A[i][j] * x[j];
            for (j = 0; j < BP; j++) g[i] -= w->B[i][j] * t[j];
        }
    }
    return NRX_OK;
}
static nrx_status wide_hess(void *user, const double *t, const double *x, const double *v, double *hv)
{
    const wide *w = (const wide *)user;
    int i, j;
    (void)x;
    for (i = 0; i < BN; i++) {
        hv[i] = w->modes ? v[i] : 0;
        if (w->modes) for (j = 0; j < BP; j++) hv[i] += t[j] * along(w, j, v) * w->V[i][j];
        else for (j = 0; j < BN; j++) hv[i] += w->A[i][j] * v[j];
    }
    return NRX_OK;
}
static nrx_status wide_cross(void *user, const double *t, const double *x, const double *q, double *out)
{
    const wide *w = (const wide *)user;
    int i, j;
    (void)t;
    for (j = 0; j < BP; j++) {
        out[j] = w->modes ? along(w, j, x) * along(w, j, q) : 0;
        if (!w->modes) for (i = 0; i < BN; i++) out[j] -= w->B[i][j] * q[i];
    }
    return NRX_OK;
}
static nrx_status wide_upper(void *user, const double *x, double *value, double *grad)
{
    const wide *w = (const wide *)user;
    int i;
    if (value) for (*value = 0, i = 0; i < BN; i++) *value += 0.5 * (x[i] - w->xt[i]) * (x[i] - w->xt[i]);
    if (grad) for (i = 0; i < BN; i++) grad[i] = x[i] - w->xt[i];
    return NRX_OK;
}
/* a (n x n) \ b by elimination with pivots, in long double: the oracle */
static void eliminate(int n, long double a[BN][BN], long double *b)
{
    int i, j, k;
    for (k = 0; k < n; k++) {
        int best = k;
        for (i = k; i < n; i++) if (fabsl(a[i][k]) > fabsl(a[best][k])) best = i;
        for (j = 0; j < n; j++) { long double t = a[k][j]; a[k][j] = a[best][j]; a[best][j] = t; }
        { long double t = b[k]; b[k] = b[best]; b[best] = t; }
        for (i = 0; i < n; i++) if (i != k) {
            const long double f = a[i][k] / a[k][k];
            for (j = 0; j < n; j++) a[i][j] -= f * a[k][j];
            b[i] -= f * b[k];
        }
    }
    for (k = 0; k < n; k++) b[k] /= a[k][k];
}
/* exact lower solution */
static void wide_lower(const wide *w, const double *t, double *x)
{
    long double a[BN][BN], b[BN];
    int i, j;
    for (i = 0; i < BN; i++) {
        for (j = 0; j < BN; j++) a[i][j] = w->modes ? i == j : w->A[i][j];
        b[i] = w->modes ? w->y[i] : w->b[i];
        for (j = 0; j < BP; j++) {
            int k;
            if (w->modes) for (k = 0; k < BN; k++) a[i][k] += t[j] * w->V[i][j] * w->V[k][j];
            else b[i] += w->B[i][j] * t[j];
        }
    }
    eliminate(BN, a, b);
    for (i = 0; i < BN; i++) x[i] = (double)b[i];
}
/* exact |hypergradient| by the formula of each problem */
static double wide_exact(const wide *w, const double *t)
{
    double x[BN], s = 0;
    int i, j;
    wide_lower(w, t, x);
    if (w->modes) {
        for (j = 0; j < BP; j++) {
            const double yj = along(w, j, w->y), d = (along(w, j, x) - along(w, j, w->xt)) * -yj / ((1 + t[j]) * (1 + t[j]));
            s += d * d;
        }
    } else {
        long double a[BN][BN], q[BN];
        for (i = 0; i < BN; i++) { q[i] = x[i] - w->xt[i]; for (j = 0; j < BN; j++) a[i][j] = w->A[j][i]; }
        eliminate(BN, a, q);
        for (j = 0; j < BP; j++) { double d = 0; for (i = 0; i < BN; i++) d += w->B[i][j] * (double)q[i]; s += d * d; }
    }
    return sqrt(s);
}
static void bilevel_wide(void)
{
    static wide w;
    double best[BP], house = 0;
    int i, j, k, method;
    for (i = 0; i < BN; i++) house += (i + 1.0) * (i + 1.0);
    for (w.modes = 0; w.modes < 2; w.modes++) {
        nrx_opt_bilevel_problem p = NRX_ZERO;
        nrx_opt_bilevel_info info;
        for (i = 0; i < BN; i++) {
            for (j = 0; j < BN; j++) {
                w.A[i][j] = i == j ? 2 : i - j == 1 || j - i == 1 ? -0.5 : 0;         /* eigenvalues in (1, 3) */
                w.V[i][j] = (i == j) - 2 * (i + 1.0) * (j + 1.0) / house;
            }
            for (j = 0; j < BP; j++) w.B[i][j] = cos((i + 0.5) * (j + 1) * NRX_PI / BN) + (i == j);
            w.b[i] = sin(1.0 + i);
            for (w.y[i] = 0, j = 0; j < BN; j++) w.y[i] += (2 - 0.1 * j) * w.V[i][j];
            w.xt[i] = w.modes ? 0 : cos(1.3 * i);
        }
        if (w.modes) {
            for (j = 0; j < BN; j++) {
                const double yj = along(&w, j, w.y), factor = j < BP ? 1 / (1.2 + 0.4 * j) : 0.8;
                if (j < BP) best[j] = 0.2 + 0.4 * j;
                for (i = 0; i < BN; i++) w.xt[i] += factor * yj * w.V[i][j];
            }
        } else {                                                /* normal equations of M theta = xt - A^-1 b, M = A^-1 B */
            long double M[BP][BN], N[BN][BN], r[BN], a[BN][BN], c[BN];
            for (k = 0; k <= BP; k++) {
                for (i = 0; i < BN; i++) { c[i] = k < BP ? w.B[i][k] : w.b[i]; for (j = 0; j < BN; j++) a[i][j] = w.A[i][j]; }
                eliminate(BN, a, c);
                if (k < BP) for (i = 0; i < BN; i++) M[k][i] = c[i];
            }
            for (j = 0; j < BP; j++) {
                for (r[j] = 0, i = 0; i < BN; i++) r[j] += M[j][i] * (w.xt[i] - c[i]);
                for (k = 0; k < BP; k++) for (N[j][k] = 0, i = 0; i < BN; i++) N[j][k] += M[j][i] * M[k][i];
            }
            eliminate(BP, N, r);
            for (j = 0; j < BP; j++) best[j] = (double)r[j];
        }
        CHECK(wide_exact(&w, best) < 1e-13);
        p.n = BN; p.p = BP; p.user = &w;
        p.lower_grad = wide_grad; p.lower_hess = wide_hess; p.cross = wide_cross; p.upper = wide_upper;
        p.mu = w.modes ? 0.5 : 1; p.lip = w.modes ? 4 : 3; p.upper_lip = 1;
        p.cross_norm = w.modes ? 8 : 4;                        /* |x| and |B|_F from above */
        p.cross_lip = w.modes ? 1 : 0;
        for (method = 0; method < 2; method++) {
            nrx_opt_bilevel_desc d = NRX_ZERO;
            double theta[BP] = { 0 }, x[BN] = { 0 }, exact[BN];
            d.method = method; d.max_iter = 4000; d.step = method ? 0.2 : 0;
            if (method) d.epsilon = 1e-10;
            CHECK_ALWAYS(nrx_opt_bilevel(&p, theta, x, &d, &info) == NRX_OK);
            CHECK(info.stop == NRX_STOP_TOL);
            if (getenv("VERBOSE")) printf("modes %d method %d: %d outer, %d lower, %d CG, %d tries, hypergradient %.1e +- %.1e\n", w.modes, method, (int)info.iterations,
                                          (int)info.lower_iterations, (int)info.cg_iterations, (int)info.backtracks, info.hypergradient, info.error);
            /* gradient over the smallest curvature: y_j^2 / (1 + theta_j)^4 for the modes */
            for (j = 0; j < BP; j++) CHECK_NEAR(theta[j], best[j], w.modes ? 1.05e-6 / (1.7 * 1.7 / pow(2.4, 4)) : 1e-5);
            CHECK(wide_exact(&w, theta) <= info.hypergradient + info.error);          /* the certificate of the stop */
            wide_lower(&w, theta, exact);
            for (i = 0; i < BN; i++) CHECK_NEAR(x[i], exact[i], info.epsilon);
        }
        for (k = 1; k <= 9; k++) {                             /* the bound on the hypergradient at every accuracy */
            nrx_opt_bilevel_desc d = NRX_ZERO;
            double theta[BP] = { 0.3, 0.1, 0.5, 0.2 }, x[BN] = { 3, -2, 1 }, at[BP];
            memcpy(at, theta, sizeof at);
            d.method = NRX_BILEVEL_IMPLICIT; d.epsilon = d.delta = pow(10, -k); d.step = 1e-300; d.max_iter = 1; d.tol = 1e-14;
            CHECK_ALWAYS(nrx_opt_bilevel(&p, theta, x, &d, &info) == NRX_OK);
            CHECK(fabs(info.hypergradient - wide_exact(&w, at)) <= info.error);
        }
    }
}

/* The order of three quadratic batches changes the end of an epoch by eta^2 times a known vector: SGD steps through nrx_opt. */
static void eta_squared(void)
{
    static const double H[3][4] = {{2, .5, .5, 1}, {1, -.3, -.3, 3}, {.5, 0, 0, .2}}, c[3][2] = {{1, 0}, {0, 1}, {-1, 2}};
    static const double eta[3] = {1e-2, 1e-3, 1e-4}, table[3] = {4.0258, 4.04057, 4.042033};
    int e, way, s;
    for (e = 0; e < 3; e++) {
        double end[2][2], diff;
        for (way = 0; way < 2; way++) {
            double w[2] = {.3, -.7}, g[2];
            nrx_param p = NRX_ZERO;
            nrx_opt o;
            nrx_opt_desc d = NRX_ZERO;
            p.value = w; p.grad = g; p.rows = 1; p.cols = 2; p.dtype = NRX_F64;
            d.kind = NRX_OPT_SGD; d.lr = eta[e];
            CHECK_ALWAYS(nrx_opt_init(&o, &p, 1, &d) == NRX_OK);
            for (s = 0; s < 3; s++) {
                int q = way ? 2 - s : s;
                g[0] = H[q][0] * (w[0] - c[q][0]) + H[q][1] * (w[1] - c[q][1]);
                g[1] = H[q][2] * (w[0] - c[q][0]) + H[q][3] * (w[1] - c[q][1]);
                CHECK_ALWAYS(nrx_opt_step(&o) == NRX_OK);
            }
            end[way][0] = w[0];
            end[way][1] = w[1];
            nrx_opt_drop(&o);
        }
        diff = hypot(end[0][0] - end[1][0], end[0][1] - end[1][1]) / (eta[e] * eta[e]);
        CHECK_REL(diff, table[e], 4e-5);
        if (e == 2) CHECK_REL(diff, 4.042195937853582, 5e-5);
    }
}

static void orders(void)
{
    enum { N = 1000, B = 20 };
    static double loss[N];
    static size_t order[N];
    int policy, attack, flagged = 0, seed;
    size_t i;
    nrx_opt_audit a;
    uint64_t committed = 7;
    for (i = 0; i < N; i++) loss[i] = sin(12.9898 * (double)i) * 43758.5453 - floor(sin(12.9898 * (double)i) * 43758.5453);
    for (attack = NRX_ATTACK_REORDER; attack <= NRX_ATTACK_REPLACE; attack++)
        for (policy = NRX_ORDER_LOW_HIGH; policy <= NRX_ORDER_OSC_OUT; policy++) {
            CHECK_ALWAYS(nrx_opt_sample(policy, attack, N, attack == NRX_ATTACK_REORDER ? 1 : B, loss, 7, 0, order, NULL) == NRX_OK);
            CHECK_ALWAYS(nrx_opt_audit_order(N, B, order, loss, &committed, 0, &a, NULL) == NRX_OK);
            CHECK(a.worst > 6 && a.replay == 0);
            CHECK(attack == NRX_ATTACK_REPLACE ? a.missing == N / 2 && a.repeated == N / 2 : a.missing == 0 && a.repeated == 0);
        }
    { /* what the policies mean */
        double s[5] = {3, 1, 2, 5, 4};
        size_t o[5];
        static const size_t want[4][5] = {{1, 2, 0, 4, 3}, {3, 4, 0, 2, 1}, {1, 3, 2, 4, 0}, {0, 4, 2, 3, 1}};
        for (policy = 1; policy <= 4; policy++) {
            CHECK_ALWAYS(nrx_opt_sample(policy, NRX_ATTACK_RESHUFFLE, 5, 1, s, 0, 0, o, NULL) == NRX_OK);
            for (i = 0; i < 5; i++) CHECK(o[i] == want[policy - 1][i]);
        }
    }
    { /* batches with equal points but ordered means: reordering whole batches is seen too */
        CHECK_ALWAYS(nrx_opt_sample(NRX_ORDER_LOW_HIGH, NRX_ATTACK_REORDER, N, B, loss, 7, 0, order, NULL) == NRX_OK);
        CHECK_ALWAYS(nrx_opt_audit_order(N, B, order, loss, NULL, 0, &a, NULL) == NRX_OK && a.replay == -1);
        CHECK(fabs(a.rank_z) > 3.3);
    }
    for (seed = 0; seed < 1000; seed++) {
        uint64_t sd = (uint64_t)seed;
        CHECK_ALWAYS(nrx_opt_sample(NRX_ORDER_UNIFORM, 0, N, B, NULL, sd, 3, order, NULL) == NRX_OK);
        CHECK_ALWAYS(nrx_opt_audit_order(N, B, order, loss, &sd, 3, &a, NULL) == NRX_OK && a.replay == 1);
        flagged += a.worst > 3.3;
    }
    CHECK(flagged < 10); /* 5 statistics: fewer than 1 % */
    if (getenv("NRX_SHOW")) printf("honest epochs flagged: %d of 1000\n", flagged);
    order[0] = N;
    CHECK_ALWAYS(nrx_opt_audit_order(N, B, order, loss, NULL, 0, &a, NULL) == NRX_E_RANGE);
    loss[0] = NAN;
    CHECK_ALWAYS(nrx_opt_sample(NRX_ORDER_LOW_HIGH, 0, N, B, loss, 0, 0, order, NULL) == NRX_E_NUMERIC);
    { /* greedy gradient matching finds the planted pair */
        double g[8] = {5, 0, 1, 1, 0, 7, 3, -1}, target[2] = {2, 0};
        size_t pick[2];
        CHECK_ALWAYS(nrx_opt_match_gradient(4, 2, g, target, 2, pick, NULL) == NRX_OK);
        CHECK((pick[0] == 3 && pick[1] == 1) || (pick[0] == 1 && pick[1] == 3));
    }
}

/* Weighted truncation is best in its norm and not in the plain one; with unit weights it is the truncated SVD. */
static void factorization(void)
{
    enum { R = 8, C = 6, K = 3 };
    double w[R * C], a[R * K], b[K * C], a2[R * K], b2[K * C], rw[R], cw[C], err[2][2] = {{0, 0}, {0, 0}};
    nrx_test_rng r = {5};
    int i, j, k, q;
    for (i = 0; i < R * C; i++) w[i] = nrx_test_signed(&r);
    for (i = 0; i < R; i++) rw[i] = pow(10, 2 * nrx_test_signed(&r));
    for (j = 0; j < C; j++) cw[j] = pow(10, nrx_test_signed(&r));
    CHECK_ALWAYS(nrx_opt_factorize(NRX_F64, R, C, w, NULL, NULL, K, a, b, NULL) == NRX_OK && nrx_opt_factorize(NRX_F64, R, C, w, rw, cw, K, a2, b2, NULL) == NRX_OK);
    for (i = 0; i < R; i++)
        for (j = 0; j < C; j++)
            for (q = 0; q < 2; q++) {
                double e = w[i * C + j];
                for (k = 0; k < K; k++) e -= (q ? a2 : a)[i * K + k] * (q ? b2 : b)[k * C + j];
                err[q][0] += e * e;
                err[q][1] += rw[i] * cw[j] * e * e;
            }
    CHECK(err[0][0] < err[1][0] && err[1][1] < err[0][1]);
    { /* Eckart-Young: the plain error is the sum of the squared rest of the spectrum */
        double copy[R * C], s[C], work[800], rest = 0;
        memcpy(copy, w, sizeof copy);
        CHECK(nrxi_svd_work(R, C) <= 800);
        CHECK_ALWAYS(nrxi_svd(R, C, copy, C, s, NULL, 0, NULL, 0, work) == NRX_OK);
        for (k = K; k < C; k++) rest += s[k] * s[k];
        CHECK_REL(err[0][0], rest, 1e-12);
    }
    rw[2] = -1;
    CHECK_ALWAYS(nrx_opt_factorize(NRX_F64, R, C, w, rw, NULL, K, a, b, NULL) == NRX_E_ARG);
    CHECK_ALWAYS(nrx_opt_factorize(NRX_F64, R, C, w, NULL, NULL, 7, a, b, NULL) == NRX_E_ARG);
}

/* 1/2 |W - T|_F^2 has the closed form SVT_tau(T); the objective falls by at least (1/eta - L/2)|dW|^2 a step. */
typedef struct { const double *t; size_t n; } target;
static nrx_status distance_eval(void *user, const void *x, double *value, void *grad)
{
    const target *t = (const target *)user;
    double s = 0;
    size_t i;
    for (i = 0; i < t->n; i++) { double e = ((const double *)x)[i] - t->t[i]; s += 0.5 * e * e; if (grad) ((double *)grad)[i] = e; }
    if (value) *value = s;
    return NRX_OK;
}
static void isvt(void)
{
    enum { R = 7, C = 5 };
    double w[R * C], t[R * C], want[R * C], hist[300];
    nrx_test_rng r = {6};
    target tg;
    nrx_functional f = NRX_ZERO;
    nrx_solve_desc o = NRX_ZERO;
    nrx_solve_info info;
    size_t rank, wanted, i;
    for (i = 0; i < R * C; i++) { t[i] = nrx_test_signed(&r); w[i] = nrx_test_signed(&r); }
    tg.t = t; tg.n = R * C;
    f.eval = distance_eval; f.user = &tg; f.n = R * C; f.dtype = NRX_F64; f.lip = 1; f.mu = 1; f.convexity = NRX_CONVEX;
    CHECK_ALWAYS(nrx_opt_svt(NRX_F64, R, C, t, 1.2, want, &wanted, NULL) == NRX_OK);
    o.step = 0.5; o.tol = 1e-12; o.history = hist; o.history_size = 300;
    CHECK_ALWAYS(nrx_opt_isvt(&f, R, C, 1.2, w, &rank, &o, &info) == NRX_OK && info.stop == NRX_STOP_TOL);
    CHECK(rank == wanted && rank < C);
    for (i = 0; i < R * C; i++) CHECK_NEAR(w[i], want[i], 1e-10);
    for (i = 1; i < info.history_count; i++) CHECK(hist[i] <= hist[i - 1] + 1e-12);
    for (i = 0; i < R * C; i++) w[i] = t[i];
    o.memory = 2; o.max_iter = 40;
    CHECK_ALWAYS(nrx_opt_isvt(&f, R, C, 0, w, &rank, &o, &info) == NRX_OK);
    CHECK(rank == 2);
    CHECK_ALWAYS(nrx_opt_isvt(&f, R, C + 1, 0, w, &rank, &o, &info) == NRX_E_SHAPE);
}

#if defined(NRX_TEST_ALLOC)
static void allocations(void)
{
    nrx_test_heap heap;
    nrx_opt_bilevel_problem p = NRX_ZERO;
    nrx_opt_bilevel_desc d = NRX_ZERO;
    nrx_env env = NRX_ZERO;
    double theta = 0.1, x = 0, w[6] = {1, 2, 3, 4, 5, 7}, a[4], b[4], s[6] = {3, 1, 2, 5, 4, 0};
    size_t order[6], pick[2];
    nrx_opt_audit au;
    p.n = p.p = 1;
    p.lower_grad = lower_grad; p.lower_hess = lower_hess; p.cross = cross; p.upper = upper;
    p.mu = 1; p.lip = 4;
    d.max_iter = 3;
    NRX_TEST_EACH_ALLOC(d.env, heap, nrx_opt_bilevel(&p, &theta, &x, &d, NULL), (void)0);
    NRX_TEST_EACH_ALLOC(env, heap, nrx_opt_factorize(NRX_F64, 3, 2, w, NULL, NULL, 1, a, b, &env), (void)0);
    NRX_TEST_EACH_ALLOC(env, heap, nrx_opt_sample(1, 0, 6, 2, s, 0, 0, order, &env), (void)0);
    NRX_TEST_EACH_ALLOC(env, heap, nrx_opt_audit_order(6, 2, order, s, NULL, 0, &au, &env), (void)0);
    NRX_TEST_EACH_ALLOC(env, heap, nrx_opt_match_gradient(3, 2, w, a, 2, pick, &env), (void)0);
}
#endif

int main(void)
{
#if defined(NRX_TEST_ALLOC)
    allocations();
#else
    bilevel();
    bilevel_wide();
    eta_squared();
    orders();
    factorization();
    isvt();
#endif
    return nrx_test_end();
}
