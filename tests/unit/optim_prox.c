/* Proximal operators against brute-force minimisation and the inequality that defines them; Moreau; total variation denoising against the
   tabulated optimum; certified gaps against long runs on 100 random problems.
   SPDX-License-Identifier: MIT-0 OR Unlicense
   run: alloc */
#include "nrx_test.h"
#define NRX_OPTIM_IMPLEMENTATION
#include "nrx_optim.h"
#include "nrx_test.h"

/* One-dimensional kinds: the prox is the minimiser of phi(x) + (x - v)^2 / (2 tau) on a fine grid. */
static double phi1(int kind, double x, double w, double a, double d)
{
    double m = fabs(x);
    switch (kind) {
    case NRX_REG_L1: return w * m;
    case NRX_REG_L2_SQUARED: return w * 0.5 * (x - d) * (x - d);
    case NRX_REG_ELASTIC: return w * (m + 0.5 * a * x * x);
    case NRX_REG_HUBER: return w * (m <= a ? x * x / (2 * a) : m - a / 2);
    case NRX_REG_KL: return x > 0 ? w * (x - d * log(x)) : 1e30;
    case NRX_REG_LOG: return x > 0 ? -w * log(x) : 1e30;
    case NRX_REG_ENTROPY: return x > 0 ? w * x * log(x) : x == 0 ? 0 : 1e30;
    case NRX_REG_BOX: return x >= a - 1e-8 && x <= 1.5 ? 0 : 1e30;
    case NRX_REG_NONNEGATIVE: return x >= 0 ? 0 : 1e30;
    case NRX_REG_LINF_BALL: return m <= a ? 0 : 1e30;
    case NRX_REG_L0: return w * (x != 0);
    case NRX_REG_L_HALF: return w * sqrt(m);
    default: return m <= a * w ? w * m - x * x / (2 * a) : 0.5 * a * w * w; /* MCP */
    }
}
static void scalar_kinds(void)
{
    static const int kinds[13] = {NRX_REG_L1, NRX_REG_L2_SQUARED, NRX_REG_ELASTIC, NRX_REG_HUBER, NRX_REG_KL, NRX_REG_LOG, NRX_REG_ENTROPY, NRX_REG_BOX, NRX_REG_NONNEGATIVE,
                                  NRX_REG_LINF_BALL, NRX_REG_L0, NRX_REG_L_HALF, NRX_REG_MCP};
    static const double v[6] = {-2.3, -0.4, 0.3, 1.1, 2.7, 0};
    const double tau = 0.7;
    int q, i, dtype;
    for (q = 0; q < 13; q++)
        for (dtype = 0; dtype < 2; dtype++) {
            nrx_opt_reg r = NRX_ZERO;
            nrx_functional f;
            double x[6], data[6], value, vv[6], sum = 0;
            float x32[6], d32[6], v32[6];
            r.kind = kinds[q]; r.n = 6; r.dtype = dtype; r.weight = kinds[q] == NRX_REG_L_HALF ? 1.3 : 0.9; r.b = 1.5;
            r.a = kinds[q] == NRX_REG_MCP ? 2 : kinds[q] == NRX_REG_BOX ? -0.2 : 0.5;
            for (i = 0; i < 6; i++) { data[i] = 1.3; d32[i] = 1.3f; v32[i] = (float)v[i]; vv[i] = dtype ? v[i] : (double)v32[i]; }
            if (kinds[q] == NRX_REG_KL || kinds[q] == NRX_REG_L2_SQUARED) r.data = dtype ? (void *)data : (void *)d32;
            f = nrx_opt_functional(&r);
            CHECK_ALWAYS(f.prox && f.prox(f.user, tau, dtype ? (const void *)v : (const void *)v32, dtype ? (void *)x : (void *)x32) == NRX_OK);
            for (i = 0; i < 6; i++) {
                double best = 1e30, at = 0, g, p = dtype ? x[i] : (double)x32[i];
                for (g = -4; g <= 4; g += 2e-4) {
                    double y = fabs(g) < 1e-9 ? 0 : g, e = phi1(kinds[q], y, r.weight, r.a, 1.3) + (y - vv[i]) * (y - vv[i]) / (2 * tau);
                    if (e < best) { best = e; at = y; }
                }
                CHECK(phi1(kinds[q], p, r.weight, r.a, 1.3) + (p - vv[i]) * (p - vv[i]) / (2 * tau) <= best + 1e-7);
                CHECK_NEAR(p, at, 6e-4);
                sum += phi1(kinds[q], p, r.weight, r.a, 1.3);
                if (kinds[q] == NRX_REG_KL) sum += r.weight * (1.3 * log(1.3) - 1.3);
            }
            CHECK_ALWAYS(f.eval(f.user, dtype ? (const void *)x : (const void *)x32, &value, NULL) == NRX_OK);
            CHECK_NEAR(value, sum, dtype ? 1e-12 : 2e-5);
        }
}

/* Convex vector kinds: firm nonexpansiveness, Moreau's identity, and that (v - p)/tau is a subgradient: f(y) >= f(p) + <(v-p)/tau, y-p>. */
static void vector_kinds(void)
{
    static const int kinds[14] = {NRX_REG_L2, NRX_REG_LINF, NRX_REG_GROUP_L1, NRX_REG_GROUP_PLANES, NRX_REG_SIMPLEX, NRX_REG_L1_BALL, NRX_REG_L2_BALL, NRX_REG_NUCLEAR, NRX_REG_AFFINE,
                                  NRX_REG_TV_1D, NRX_REG_TV_2D, NRX_REG_L1, NRX_REG_KL, NRX_REG_HUBER};
    enum { N = 12 };
    nrx_test_rng rng = {3};
    int q, i, t;
    for (q = 0; q < 14; q++) {
        nrx_opt_reg r = NRX_ZERO;
        nrx_functional f;
        double data[N], matrix[2 * N], tol = kinds[q] == NRX_REG_TV_2D ? 1e-4 : 1e-10;
        r.kind = kinds[q]; r.n = N; r.dtype = NRX_F64; r.rows = kinds[q] == NRX_REG_AFFINE ? 2 : 3; r.cols = 4; r.group = 3; r.weight = 0.6; r.a = kinds[q] == NRX_REG_L2_BALL ? 0.8 : 0; r.tol = 1e-11;
        for (i = 0; i < N; i++) { data[i] = 0.2 + nrx_test_uniform(&rng); matrix[i] = nrx_test_signed(&rng); matrix[N + i] = nrx_test_signed(&rng); }
        if (kinds[q] == NRX_REG_KL || kinds[q] == NRX_REG_AFFINE) r.data = data;
        r.matrix = matrix;
        f = nrx_opt_functional(&r);
        CHECK_ALWAYS(f.prox != NULL);
        if (!f.prox) continue;
        for (t = 0; t < 20; t++) {
            double v[N], w[N], p[N], s[N], m[N], u[N], tau = 0.3 + nrx_test_uniform(&rng), fp, fs, inner = 0, dist = 0, ineq = 0;
            for (i = 0; i < N; i++) { v[i] = 2 * nrx_test_signed(&rng); w[i] = 2 * nrx_test_signed(&rng); }
            CHECK_ALWAYS(f.prox(f.user, tau, v, p) == NRX_OK && f.prox(f.user, tau, w, s) == NRX_OK);
            for (i = 0; i < N; i++) { inner += (p[i] - s[i]) * (v[i] - w[i]); dist += (p[i] - s[i]) * (p[i] - s[i]); ineq += (v[i] - p[i]) / tau * (s[i] - p[i]); }
            CHECK(dist <= inner + tol);
            CHECK_ALWAYS(f.eval(f.user, p, &fp, NULL) == NRX_OK && f.eval(f.user, s, &fs, NULL) == NRX_OK);
            CHECK(fp < 1e30 && fs >= fp + ineq - tol);
            /* Moreau: v is the prox of tau f plus tau times the conjugate prox at v / tau */
            for (i = 0; i < N; i++) u[i] = v[i] / tau;
            CHECK_ALWAYS(nrx_opt_prox_conjugate(&f, 1 / tau, u, m, NULL) == NRX_OK);
            for (i = 0; i < N; i++) CHECK_NEAR(p[i] + tau * m[i], v[i], tol);
            CHECK_ALWAYS(f.prox(f.user, tau, v, v) == NRX_OK); /* in place */
            for (i = 0; i < N; i++) CHECK_NEAR(v[i], p[i], 1e-14);
        }
    }
    { /* closed forms */
        double y[10] = {0, 0, 0, 0, 1, 1, 1, 1, 1, 1}, x[10], big[2] = {3, -1}, v[4] = {800, -2000, 1e-5, 0.4}, e[4];
        nrx_opt_reg r = NRX_ZERO;
        nrx_functional f;
        r.kind = NRX_REG_TV_1D; r.n = 10; r.dtype = NRX_F64; r.weight = 0.6;
        f = nrx_opt_functional(&r);
        CHECK_ALWAYS(f.prox(f.user, 1, y, x) == NRX_OK);
        for (i = 0; i < 10; i++) CHECK_NEAR(x[i], i < 4 ? 0.15 : 0.9, 1e-14);
        memset(&r, 0, sizeof r);
        r.kind = NRX_REG_SIMPLEX; r.n = 2; r.dtype = NRX_F64;
        f = nrx_opt_functional(&r);
        CHECK_ALWAYS(f.prox(f.user, 1, big, x) == NRX_OK);
        CHECK_NEAR(x[0], 1, 1e-14);
        CHECK_NEAR(x[1], 0, 1e-14);
        memset(&r, 0, sizeof r); /* entropy far from overflow: log y + 1 + (y - v)/tau = 0 */
        r.kind = NRX_REG_ENTROPY; r.n = 4; r.dtype = NRX_F64;
        f = nrx_opt_functional(&r);
        CHECK_ALWAYS(f.prox(f.user, 0.5, v, e) == NRX_OK);
        for (i = 0; i < 4; i++) if (i != 1) CHECK_NEAR(log(e[i]) + 1 + (e[i] - v[i]) / 0.5, 0, 1e-11);
        CHECK(e[1] >= 0 && e[1] < 1e-300);
        memset(&r, 0, sizeof r); /* rank truncation */
        { double m[4] = {3, 0, 0, 1}; r.kind = NRX_REG_RANK; r.n = 4; r.rows = r.cols = 2; r.a = 1; r.dtype = NRX_F64;
          f = nrx_opt_functional(&r);
          CHECK_ALWAYS(f.prox(f.user, 1, m, m) == NRX_OK);
          CHECK_NEAR(m[0], 3, 1e-14); CHECK_NEAR(m[3], 0, 1e-14); }
        r.kind = 99;
        f = nrx_opt_functional(&r);
        CHECK_ALWAYS(f.prox == NULL);
    }
}

/* A long line: the dynamic program against the optimality conditions of the taut string. */
static void tv_line(void)
{
    enum { N = 4000 };
    static double y[N], x[N];
    nrx_test_rng r = {77};
    int i, bad = 0, jumps = 0;
    double s = 0;
    nrx_opt_reg g = NRX_ZERO;
    nrx_functional f;
    for (i = 0; i < N; i++) y[i] = (i / 500) % 3 + 0.4 * nrx_test_signed(&r);
    g.kind = NRX_REG_TV_1D; g.n = N; g.dtype = NRX_F64;
    f = nrx_opt_functional(&g);
    CHECK_ALWAYS(f.prox(f.user, 2.0, y, x) == NRX_OK);
    for (i = 0; i < N; i++) { /* the running sum of y - x stays within lambda and touches it with the sign of each jump */
        s += y[i] - x[i];
        if (fabs(s) > 2 + 1e-9) bad++;
        if (i + 1 < N && fabs(x[i + 1] - x[i]) > 1e-9) { jumps++; if (fabs(s + (x[i + 1] > x[i] ? 2 : -2)) > 1e-8) bad++; }
    }
    CHECK_NEAR(s, 0, 1e-9);
    CHECK(bad == 0 && jumps > 5 && jumps < 400);
}

#define ROF_OPTIMUM 10.5952497250921
static void rof(void)
{
    static const double tol[4] = {1e-2, 1e-4, 1e-6, 1e-8};
    static const size_t table[2][4] = {{47, 244, 572, 754}, {57, 336, 1370, 4357}};
    double f[256], u[256], sum = 0, before;
    float f32[256], u32[256];
    int i, j, q, method;
    for (i = 0; i < 16; i++)
        for (j = 0; j < 16; j++) { f[i * 16 + j] = ((i - 7.5) * (i - 7.5) + (j - 7.5) * (j - 7.5) < 25) + 0.25 * sin(3.0 * i + 5.0 * j); f32[i * 16 + j] = (float)f[i * 16 + j]; }
    for (method = 0; method < 2; method++)
        for (q = 0; q < 4; q++) {
            nrx_solve_desc o = NRX_ZERO;
            nrx_solve_info info;
            o.tol = tol[q] / ROF_OPTIMUM; o.max_iter = 20000; o.check_every = method ? 1 : 4;
            o.method = method ? NRX_SOLVE_GRADIENT : 0;
            CHECK_ALWAYS(nrx_opt_tv_denoise(NRX_F64, 16, 16, f, 0.2, u, &o, &info) == NRX_OK);
            CHECK(info.stop == NRX_STOP_GAP && info.iterations <= table[method][q] + table[method][q] / 4 + 10);
            CHECK(info.gap >= info.objective - ROF_OPTIMUM - 1e-11 && info.objective >= ROF_OPTIMUM - 1e-11);
            if (getenv("NRX_SHOW")) printf("rof method %d gap %g: %d iterations (table %d)\n", method, tol[q], (int)info.iterations, (int)table[method][q]);
        }
    {
        nrx_solve_desc o = NRX_ZERO;
        nrx_solve_info info;
        o.tol = 1e-13; o.max_iter = 20000;
        CHECK_ALWAYS(nrx_opt_tv_denoise(NRX_F64, 16, 16, f, 0.2, u, &o, &info) == NRX_OK);
        CHECK_NEAR(info.objective, ROF_OPTIMUM, 2e-12);
        CHECK_NEAR(u[0], 0.0322621651, 1e-6);
        CHECK_NEAR(u[7 * 16 + 7], 0.9383346548, 1e-6);
        for (i = 0; i < 256; i++) sum += u[i];
        CHECK_NEAR(sum, 80.0861318376, 1e-9);
        o.tol = 2e-6;
        CHECK_ALWAYS(nrx_opt_tv_denoise(NRX_F32, 16, 16, f32, 0.2, u32, &o, &info) == NRX_OK && info.stop == NRX_STOP_GAP);
        CHECK_NEAR(info.objective, ROF_OPTIMUM, 3e-5);
        for (i = 0; i < 256; i++) CHECK_NEAR(u32[i], u[i], 5e-3);
        CHECK_ALWAYS(nrx_opt_tv_denoise(NRX_F32, 16, 16, f32, 0.2, f32, &o, &info) == NRX_OK); /* in place */
        for (i = 0; i < 256; i++) CHECK_NEAR(f32[i], u32[i], 1e-6);
        f[3] = NAN;
        before = u[0];
        CHECK_ALWAYS(nrx_opt_tv_denoise(NRX_F64, 16, 16, f, 0.2, u, NULL, &info) == NRX_E_NUMERIC && u[0] == before);
        CHECK_ALWAYS(nrx_opt_tv_denoise(NRX_F64, 0, 16, f, 0.2, u, NULL, &info) == NRX_E_ARG);
        f[3] = 0;
        CHECK_ALWAYS(nrx_opt_tv_denoise(NRX_F64, 1, 256, f, 0.2, u, NULL, &info) == NRX_OK && nrx_opt_tv_denoise(NRX_F64, 256, 1, f, 0.2, u, NULL, &info) == NRX_OK);
    }
}

/* ---- certified gaps: PDHG with a strongly convex g, FISTA with mu, TV denoising; 100 random problems each against a long run ---- */

typedef struct { size_t m, n; const double *a; } dense;
static nrx_status apply(void *user, const void *x, void *y)
{
    const dense *d = (const dense *)user;
    size_t i, j;
    for (i = 0; i < d->m; i++) { double s = 0; for (j = 0; j < d->n; j++) s += d->a[i * d->n + j] * ((const double *)x)[j]; ((double *)y)[i] = s; }
    return NRX_OK;
}
static nrx_status adjoint(void *user, const void *y, void *x)
{
    const dense *d = (const dense *)user;
    size_t i, j;
    for (j = 0; j < d->n; j++) { double s = 0; for (i = 0; i < d->m; i++) s += d->a[i * d->n + j] * ((const double *)y)[i]; ((double *)x)[j] = s; }
    return NRX_OK;
}
static void gaps(void)
{
    enum { M = 9, N = 7 };
    nrx_test_rng r = {2026};
    int p, i, k;
    for (p = 0; p < 100; p++) {
        double a[M * N], b[N], x[N], best[2], image[36], out[36];
        dense d;
        nrx_linop op = NRX_ZERO;
        nrx_opt_reg rg = NRX_ZERO, rh = NRX_ZERO;
        nrx_functional g, h;
        nrx_solve_desc o = NRX_ZERO;
        nrx_solve_info info;
        static const int hk[4] = {NRX_REG_L1, NRX_REG_L2, NRX_REG_GROUP_L1, NRX_REG_LINF};
        for (i = 0; i < M * N; i++) a[i] = nrx_test_signed(&r);
        for (i = 0; i < N; i++) b[i] = 3 * nrx_test_signed(&r);
        d.m = M; d.n = N; d.a = a;
        op.apply = apply; op.adjoint = adjoint; op.user = &d; op.rows = M; op.cols = N; op.dtype = NRX_F64;
        rg.kind = NRX_REG_L2_SQUARED; rg.n = N; rg.dtype = NRX_F64; rg.data = b; rg.weight = 0.2 + nrx_test_uniform(&r);
        rh.kind = hk[p % 4]; rh.n = M; rh.dtype = NRX_F64; rh.group = 3; rh.weight = 0.1 + nrx_test_uniform(&r);
        g = nrx_opt_functional(&rg);
        h = nrx_opt_functional(&rh);
        memset(x, 0, sizeof x);
        o.max_iter = 20000; o.tol = 1e-13; /* a long run of ADMM, which shares no step with PDHG, is the reference */
        {
            double z[N];
            double root = sqrt(rg.weight), sb[N], ident[N * N];
            dense di;
            nrx_linop A = NRX_ZERO;
            memset(ident, 0, sizeof ident);
            for (i = 0; i < N; i++) { ident[i * N + i] = root; sb[i] = root * b[i]; }
            di.m = N; di.n = N; di.a = ident;
            A.apply = apply; A.adjoint = adjoint; A.user = &di; A.rows = A.cols = N; A.dtype = NRX_F64;
            memset(z, 0, sizeof z);
            o.tol = 1e-10; o.max_iter = 4000;
            CHECK_ALWAYS(nrx_opt_admm(&A, sb, &op, &h, z, &o, &info) == NRX_OK);
            best[0] = info.objective;
        }
        for (k = 1; k <= 200; k += 1 + k / 2) { /* x improves along the way: the bound must hold at every length of run */
            memset(x, 0, sizeof x);
            memset(&o, 0, sizeof o);
            o.max_iter = (size_t)k; o.tol = -1;
            CHECK_ALWAYS(nrx_opt_pdhg(&op, &g, &h, NULL, x, NULL, &o, &info) == NRX_OK);
            CHECK(info.gap >= 0 && info.objective - best[0] <= info.gap + 1e-9 * (1 + fabs(best[0])));
            if (k > 100) CHECK(info.gap < 1e-2 * (1 + fabs(best[0])));
        }
        /* FISTA on 1/2 |Kx - c|^2 restricted to f = mu/2 |x - b|^2 and l1: gap from strong convexity */
        {
            double c[M], xs[N];
            nrx_opt_reg rl = NRX_ZERO;
            nrx_functional l;
            for (i = 0; i < M; i++) c[i] = nrx_test_signed(&r);
            rl.kind = NRX_REG_L1; rl.n = N; rl.dtype = NRX_F64; rl.weight = 0.3;
            l = nrx_opt_functional(&rl);
            memset(&o, 0, sizeof o);
            CHECK_ALWAYS(nrxi_solve_norm("norm", &op, 300, &op.norm, NULL) == NRX_OK);
            op.norm *= 1.001;
            memset(xs, 0, sizeof xs);
            o.tol = 1e-13; o.max_iter = 20000;
            CHECK_ALWAYS(nrx_opt_gradient(&op, c, &g, &l, xs, &o, &info) == NRX_OK);
            best[1] = info.objective;
            for (k = 1; k <= 60; k += 1 + k / 2) {
                memset(x, 0, sizeof x);
                o.tol = -1; o.max_iter = (size_t)k;
                CHECK_ALWAYS(nrx_opt_fista(&op, c, &g, &l, x, &o, &info) == NRX_OK);
                CHECK(info.gap >= 0 && info.objective - best[1] <= info.gap + 1e-11);
            }
        }
        for (i = 0; i < 36; i++) image[i] = nrx_test_signed(&r);
        memset(&o, 0, sizeof o);
        o.tol = 1e-12; o.max_iter = 50000;
        CHECK_ALWAYS(nrx_opt_tv_denoise(NRX_F64, 6, 6, image, 0.15, out, &o, &info) == NRX_OK);
        best[0] = info.objective;
        for (k = 1; k <= 100; k += 1 + k / 2) {
            o.tol = -1; o.max_iter = (size_t)k; o.method = p % 2 ? NRX_SOLVE_GRADIENT : 0;
            CHECK_ALWAYS(nrx_opt_tv_denoise(NRX_F64, 6, 6, image, 0.15, out, &o, &info) == NRX_OK);
            CHECK(info.objective - best[0] <= info.gap + 1e-11 && info.gap >= 0);
        }
    }
}

#if defined(NRX_TEST_ALLOC)
static void allocations(void)
{
    double x[12] = {1, 2, 0, 3, 1, 4, 1, 5, 9, 2, 6, 5}, m[12] = {1, 2, 3, 1, 1, 1}, d[2] = {1, 1};
    static const int kinds[6] = {NRX_REG_NUCLEAR, NRX_REG_RANK, NRX_REG_AFFINE, NRX_REG_TV_1D, NRX_REG_TV_2D, NRX_REG_NUCLEAR};
    nrx_opt_reg r = NRX_ZERO;
    nrx_functional f;
    nrx_test_heap heap;
    int q;
    for (q = 0; q < 5; q++) {
        memset(&r, 0, sizeof r);
        r.kind = kinds[q]; r.n = kinds[q] == NRX_REG_AFFINE ? 6 : 12; r.rows = kinds[q] == NRX_REG_AFFINE ? 1 : 3; r.cols = 4; r.dtype = NRX_F64; r.a = 1; r.matrix = m; r.data = d;
        f = nrx_opt_functional(&r);
        NRX_TEST_EACH_ALLOC(r.env, heap, f.prox(f.user, 0.5, x, x), (void)0);
    }
}
#endif

int main(void)
{
#if defined(NRX_TEST_ALLOC)
    allocations();
#else
    scalar_kinds();
    vector_kinds();
    tv_line();
    rof();
    gaps();
#endif
    return nrx_test_end();
}
