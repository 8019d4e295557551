/* Theoretical rates of the solvers on problems whose solution is known: every bound is the source's, with its constant, and is checked along
   the run on 100 random problems each.
   SPDX-License-Identifier: MIT-0 OR Unlicense */
#include "nrx_test.h"
#define NRX_OPTIM_IMPLEMENTATION
#include "nrx_optim.h"
#include "nrx_test.h"

enum { N = 40 };
static double diagonal[N];
static nrx_status scale(void *user, const void *x, void *y)
{
    int i;
    (void)user;
    for (i = 0; i < N; i++) ((double *)y)[i] = diagonal[i] * ((const double *)x)[i];
    return NRX_OK;
}
static nrx_linop make(double low, int signs)       /* |entries| from low to 1, geometrically; every second one negative with `signs` */
{
    nrx_linop op = NRX_ZERO;
    int i;
    for (i = 0; i < N; i++) diagonal[i] = pow(low, 1.0 - (double)i / (N - 1)) * (signs && i % 2 ? -1 : 1);
    op.apply = scale; op.adjoint = scale; op.rows = op.cols = N; op.dtype = NRX_F64; op.norm = 1.0;
    return op;
}
static nrx_test_rng rnd = {77};
static double wanted[N];
static double solution(int i) { return wanted[i]; }
static void draw(void) { int i; for (i = 0; i < N; i++) wanted[i] = 2 * nrx_test_signed(&rnd); }
static double sq(double x) { return x * x; }
static void right_side(double *b) { int i; for (i = 0; i < N; i++) b[i] = diagonal[i] * solution(i); }
/* sqrt(sum |d|^power e^2), e = x - x*: power 0 error, 1 energy norm, 2 residual */
static double error(const double *x, int power)
{
    double s = 0;
    int i;
    for (i = 0; i < N; i++) s += pow(fabs(diagonal[i]), power) * (x[i] - solution(i)) * (x[i] - solution(i));
    return sqrt(s);
}

typedef nrx_status (*linear_fn)(const nrx_linop *A, const void *b, void *x, const nrx_solve_desc *desc, nrx_solve_info *info);
/* error after k steps from 0 against 2 q^(k / every) times that of 0 */
static void krylov(linear_fn solve, double low, int signs, int power, double q, int every)
{
    nrx_linop op = make(low, signs);
    double b[N], x[N] = {0}, start;
    int k;
    draw();
    start = error(x, power);
    right_side(b);
    for (k = 1; k <= 64; k *= 4) {
        nrx_solve_desc d = NRX_ZERO;
        nrx_solve_info info;
        memset(x, 0, sizeof x);
        d.max_iter = (size_t)k; d.tol = -1; d.memory = 64;
        CHECK_ALWAYS(solve(&op, b, x, &d, &info) == NRX_OK);
        CHECK(error(x, power) <= 2 * pow(q, k / every) * start + 1e-13);
        if (k == 64) CHECK(error(x, power) < (signs ? 0.05 : 1e-4) * start);     /* and the bound says something */
    }
}

/* plain gradient: f_k <= L R^2 / (2 k) and |x_k - x*| <= (1 - mu/L)^k R; accelerated: f_k <= 2 L R^2 / (k+1)^2 */
static void gradients(void)
{
    double b[N], x[N] = {0}, R;
    int k, which;
    for (which = 0; which < 2; which++) {
        nrx_linop op = make(which ? 0.2 : 1e-3, 0);         /* L = 1, mu = low^2 */
        draw();
        right_side(b);
        memset(x, 0, sizeof x);
        R = error(x, 0);
        for (k = 1; k <= 256; k *= 4) {
            nrx_solve_desc d = NRX_ZERO;
            nrx_solve_info info;
            memset(x, 0, sizeof x);
            d.max_iter = (size_t)k; d.tol = -1; d.method = NRX_SOLVE_GRADIENT;
            CHECK_ALWAYS(nrx_opt_gradient(&op, b, NULL, NULL, x, &d, &info) == NRX_OK);
            CHECK(0.5 * error(x, 2) * error(x, 2) <= R * R / (2 * k) * (1 + 1e-12));
            CHECK_NEAR(info.objective, 0.5 * error(x, 2) * error(x, 2), 1e-12);
            if (which) CHECK(error(x, 0) <= pow(1 - 0.04, k) * R * (1 + 1e-12));
            memset(x, 0, sizeof x);
            d.method = NRX_SOLVE_ACCELERATED; d.no_restart = !which;
            CHECK_ALWAYS(nrx_opt_fista(&op, b, NULL, NULL, x, &d, &info) == NRX_OK);
            CHECK(0.5 * error(x, 2) * error(x, 2) <= 2 * R * R / ((k + 1.0) * (k + 1.0)));
        }
    }
}

/* g = gamma/2 |x - c|^2, h = weight |Kx|_1: x_i = soft(c_i, weight s_i / gamma), y_i = gamma (c_i - x_i) / s_i. Accelerated PDHG:
   |x_k - x|^2 <= (1 + o(1)) (R^2 / (gamma tau0)^2 + |K|^2 |y|^2 / gamma^2) / k^2 (Chambolle, Pock 2011, theorem 2). */
static void primal_dual(void)
{
    const double gamma = 0.7, weight = 0.9;
    nrx_linop op = make(0.05, 0);
    nrx_opt_reg rg = NRX_ZERO, rh = NRX_ZERO;
    nrx_functional g, h;
    double c[N], want[N], R2 = 0, Y2 = 0, x[N];
    int i, k;
    for (i = 0; i < N; i++) {
        const double t = weight * diagonal[i] / gamma;
        c[i] = 2 * nrx_test_signed(&rnd);
        want[i] = c[i] > t ? c[i] - t : c[i] < -t ? c[i] + t : 0;
        R2 += want[i] * want[i];
        Y2 += pow(gamma * (c[i] - want[i]) / diagonal[i], 2);
    }
    rg.kind = NRX_REG_L2_SQUARED; rg.n = N; rg.dtype = NRX_F64; rg.data = c; rg.weight = gamma;
    rh.kind = NRX_REG_L1; rh.n = N; rh.dtype = NRX_F64; rh.weight = weight;
    g = nrx_opt_functional(&rg); h = nrx_opt_functional(&rh);
    for (k = 16; k <= 1024; k *= 4) {
        nrx_solve_desc d = NRX_ZERO;
        nrx_solve_info info;
        double e = 0;
        memset(x, 0, sizeof x);
        d.max_iter = (size_t)k; d.tol = -1; d.gamma = gamma;
        CHECK_ALWAYS(nrx_opt_pdhg(&op, &g, &h, NULL, x, NULL, &d, &info) == NRX_OK);
        for (i = 0; i < N; i++) e += (x[i] - want[i]) * (x[i] - want[i]);
        CHECK(e <= 1.1 * (R2 / (gamma * gamma * 0.98) + Y2 / (gamma * gamma)) / ((double)k * k));
    }
}

/* ---- f = 1/2 (x - s)' P D P (x - s), P = I - 2 v v', eigenvalues D from mu to 1: minimum 0 at s ---- */

enum { Q = 12 };
typedef struct { double d[Q], v[Q], s[Q]; } quadratic;
static void reflect(const quadratic *q, double *x)
{
    double t = 0;
    int i;
    for (i = 0; i < Q; i++) t += q->v[i] * x[i];
    for (i = 0; i < Q; i++) x[i] -= 2 * t * q->v[i];
}
static nrx_status quadratic_eval(void *user, const void *x, double *value, void *grad)
{
    const quadratic *q = (const quadratic *)user;
    double e[Q], v = 0;
    int i;
    for (i = 0; i < Q; i++) e[i] = ((const double *)x)[i] - q->s[i];
    reflect(q, e);
    for (i = 0; i < Q; i++) { v += 0.5 * q->d[i] * e[i] * e[i]; e[i] *= q->d[i]; }
    if (value) *value = v;
    if (grad) { reflect(q, e); memcpy(grad, e, sizeof e); }
    return NRX_OK;
}
static nrx_functional quadratic_make(quadratic *q, double mu)
{
    nrx_functional f = NRX_ZERO;
    double n = 0;
    int i;
    for (i = 0; i < Q; i++) {
        q->d[i] = i == 0 ? mu : i == 1 ? 1 : pow(mu, nrx_test_uniform(&rnd));
        q->v[i] = nrx_test_signed(&rnd);
        q->s[i] = 3 * nrx_test_signed(&rnd);
        n += sq(q->v[i]);
    }
    for (i = 0; i < Q; i++) q->v[i] /= sqrt(n);
    f.eval = quadratic_eval; f.user = q; f.n = Q; f.dtype = NRX_F64; f.convexity = NRX_CONVEX; f.lip = 1; f.mu = mu;
    return f;
}
static double away(const double *x, const double *s, int n) { double t = 0; int i; for (i = 0; i < n; i++) t += sq(x[i] - s[i]); return sqrt(t); }

/* Smooth minimizers. Steepest descent with an exact search falls by q^2 = ((K - 1)/(K + 1))^2 a step in f (Kantorovich; Luenberger 8.2), and
   conjugate directions do no worse: asked of L-BFGS and of Polak-Ribiere+. With as many pairs as unknowns both must also end like conjugate
   gradients on a quadratic: their bound 4 ((sqrt K - 1)/(sqrt K + 1))^(2k), two evaluations a step being the price of an inexact search, is
   asked of every second step. BB: |g_k| <= C (1 - 1/K)^k (Dai, Liao 2002; Li, Sun 2021 with that factor), C = K sqrt n. */
static void smooth(void)
{
    const double mu = 0.05, K = 1 / mu, q = (K - 1) / (K + 1), c = (sqrt(K) - 1) / (sqrt(K) + 1);
    quadratic p;
    nrx_functional f = quadratic_make(&p, mu);
    int k, which;
    for (which = 0; which < 3; which++)
        for (k = 1; k <= (which < 2 ? 48 : 384); k = k < 4 ? k + 1 : k * 2) {
            nrx_solve_desc d = NRX_ZERO;
            nrx_solve_info info;
            double x[Q] = {0}, g[Q], f0, g0 = 0, fk, gk = 0;
            int i;
            CHECK_ALWAYS(quadratic_eval(&p, x, &f0, g) == NRX_OK);
            for (i = 0; i < Q; i++) g0 += sq(g[i]);
            d.max_iter = (size_t)k; d.tol = -1; d.memory = Q;
            CHECK_ALWAYS((which == 0 ? nrx_opt_lbfgs : which == 1 ? nrx_opt_ncg : nrx_opt_bb)(&f, x, &d, &info) == NRX_OK);
            CHECK_ALWAYS(quadratic_eval(&p, x, &fk, g) == NRX_OK);
            for (i = 0; i < Q; i++) gk += sq(g[i]);
            if (which < 2) CHECK(fk <= pow(q, 2 * k) * f0 * (1 + 1e-9) + 1e-24 * f0);
            if (which < 2) CHECK(fk <= 4 * pow(c, 2 * (k / 2)) * f0 + 1e-24 * f0);
            if (which == 2) CHECK(sqrt(gk) <= K * sqrt(Q) * pow(1 - mu, k) * sqrt(g0) + 1e-15 * sqrt(g0));
        }
}

/* The same runs step by step, against definitions: L-BFGS moves along -H g with the dense BFGS matrix of the last `memory` pairs from (s'y/y'y) I
   (Nocedal, Wright 2006, 6.17 and 7.20), NCG along -g + max(0, PR) d (5.45), both to points that meet the strong Wolfe conditions (3.7; c1 = 1e-4,
   c2 = 0.9 and 0.1), which is what their convergence proofs need (Liu, Nocedal 1989; Gilbert, Nocedal 1992). BB moves by -2^-j s's/s'y g (Barzilai,
   Borwein 1988), j halvings, to a point below the largest of ten values by 1e-4 of the slope (Raydan 1997, theorem 2.1). */
enum { PATH = 14 };
static double inner(const double *a, const double *b) { double t = 0; int i; for (i = 0; i < Q; i++) t += a[i] * b[i]; return t; }
static void bfgs_direction(double x[][Q], double g[][Q], int k, int memory, double *d)
{
    double H[Q][Q] = {{0}}, A[Q][Q], sv[Q], y[Q];
    int from = k > memory ? k - memory : 0, i, j, l, q;
    for (q = from; q < k; q++) {
        double rho;
        if (q == from) {
            for (i = 0; i < Q; i++) { sv[i] = x[k][i] - x[k - 1][i]; y[i] = g[k][i] - g[k - 1][i]; }
            for (i = 0; i < Q; i++) H[i][i] = inner(sv, y) / inner(y, y);
        }
        for (i = 0; i < Q; i++) { sv[i] = x[q + 1][i] - x[q][i]; y[i] = g[q + 1][i] - g[q][i]; }
        rho = 1 / inner(sv, y);
        for (i = 0; i < Q; i++) for (j = 0; j < Q; j++) { /* A = (I - rho s y') H */
            A[i][j] = H[i][j];
            for (l = 0; l < Q; l++) A[i][j] -= rho * sv[i] * y[l] * H[l][j];
        }
        for (i = 0; i < Q; i++) for (j = 0; j < Q; j++) {
            H[i][j] = A[i][j] + rho * sv[i] * sv[j];
            for (l = 0; l < Q; l++) H[i][j] -= A[i][l] * rho * y[l] * sv[j];
        }
    }
    for (i = 0; i < Q; i++) d[i] = k ? -inner(H[i], g[k]) : -g[k][i];
}
static void paths(void)
{
    quadratic p;
    nrx_functional f = quadratic_make(&p, 0.05);
    int which, k, i, seen = 0;
    for (which = 0; which < 4; which++) { /* L-BFGS with all pairs and with three, NCG, BB */
        double x[PATH + 1][Q] = {{0}}, g[PATH + 1][Q], value[PATH + 1], d[Q], old[Q] = {0}, move[Q];
        size_t evals[PATH + 1] = {1};
        CHECK_ALWAYS(quadratic_eval(&p, x[0], &value[0], g[0]) == NRX_OK);
        for (k = 1; k <= PATH; k++) {
            nrx_solve_desc o = NRX_ZERO;
            nrx_solve_info info;
            o.max_iter = (size_t)k; o.tol = -1; o.memory = which == 1 ? 3 : PATH;
            CHECK_ALWAYS((which < 2 ? nrx_opt_lbfgs : which == 2 ? nrx_opt_ncg : nrx_opt_bb)(&f, x[k], &o, &info) == NRX_OK);
            CHECK_ALWAYS(quadratic_eval(&p, x[k], &value[k], g[k]) == NRX_OK);
            evals[k] = info.evals;
        }
        for (k = 0; k < PATH && inner(g[k], g[k]) > 1e-8 * inner(g[0], g[0]); k++, seen++) {
            double length, slope, c2 = which == 2 ? 0.1 : 0.9;
            for (i = 0; i < Q; i++) move[i] = x[k + 1][i] - x[k][i];
            if (which < 2) bfgs_direction(x, g, k, which ? 3 : PATH, d);
            else for (i = 0; i < Q; i++) d[i] = -g[k][i];
            if (which == 2 && k > 0) {
                const double beta = (inner(g[k], g[k]) - inner(g[k], g[k - 1])) / inner(g[k - 1], g[k - 1]);
                for (i = 0; i < Q; i++) d[i] += fmax(beta, 0) * old[i];
                if (inner(d, g[k]) >= 0) for (i = 0; i < Q; i++) d[i] = -g[k][i];
            }
            memcpy(old, d, sizeof d);
            length = inner(move, d) / inner(d, d);
            for (i = 0; i < Q; i++) d[i] = move[i] - length * d[i];
            CHECK(length > 0 && inner(d, d) <= 1e-12 * inner(move, move));
            slope = inner(g[k], move);
            if (which < 3) {
                CHECK(value[k + 1] <= value[k] + 1e-4 * slope + 1e-15 * value[0]);
                CHECK(fabs(inner(g[k + 1], move)) <= -c2 * slope + 1e-15 * value[0]);
            } else {
                double worst = value[k];
                for (i = k; i >= 0 && i > k - 10; i--) worst = fmax(worst, value[i]);
                CHECK(value[k + 1] <= worst + 1e-4 * slope + 1e-15 * value[0]);
                if (k > 0) {
                    double sv[Q], y[Q];
                    for (i = 0; i < Q; i++) { sv[i] = x[k][i] - x[k - 1][i]; y[i] = g[k][i] - g[k - 1][i]; }
                    CHECK_REL(length, inner(sv, sv) / inner(sv, y) * pow(0.5, (double)(evals[k + 1] - evals[k]) - 1), 1e-9);
                }
            }
        }
    }
    CHECK(seen >= 36);
}

/* f + w |x|_1 with f = 1/2 sum d_i (x_i - c_i)^2: x_i = soft(c_i, w / d_i). ISTA: F_k - F <= L R^2 / (2 k); FISTA 2 L R^2 / (k + 1)^2 (Beck,
   Teboulle 2009, theorems 3.1, 4.4); ISTA with mu: |x_k - x| <= (1 - mu/L)^k R; FISTA with restart keeps falling: O'Donoghue, Candes 2015 give
   no constant, but a restart every e sqrt(8 L/mu) steps at the latest would give exp(-1) for each (their eq. 4-6): asked. nmAPG: the decrease
   it enforces gives min |G|^2 <= 2 L (F_0 - F) / k as for ISTA (Li, Lin 2015, eq. 13 with delta = L / 2). Gaps hold at every k. */
typedef struct { double d[Q], c[Q]; } separable;
static nrx_status separable_eval(void *user, const void *x, double *value, void *grad)
{
    const separable *p = (const separable *)user;
    double v = 0;
    int i;
    for (i = 0; i < Q; i++) {
        const double e = ((const double *)x)[i] - p->c[i];
        v += 0.5 * p->d[i] * e * e;
        if (grad) ((double *)grad)[i] = p->d[i] * e;
    }
    if (value) *value = v;
    return NRX_OK;
}
static double soft(double v, double t) { return v > t ? v - t : v < -t ? v + t : 0; }
static double composite(const separable *p, double w, const double *x)
{
    double v;
    int i;
    (void)separable_eval((void *)p, x, &v, NULL);
    for (i = 0; i < Q; i++) v += w * fabs(x[i]);
    return v;
}
static void proximal(void)
{
    const double mu = 0.05, w = 0.02 + 0.2 * nrx_test_uniform(&rnd);
    separable p;
    nrx_functional f = NRX_ZERO, g;
    nrx_opt_reg rg = NRX_ZERO;
    double want[Q], zero[Q] = {0}, R, F, F0, least = HUGE_VAL;
    int i, k, which;
    for (i = 0; i < Q; i++) {
        p.d[i] = i == 0 ? mu : i == 1 ? 1 : pow(mu, nrx_test_uniform(&rnd));
        p.c[i] = 3 * nrx_test_signed(&rnd);
        want[i] = soft(p.c[i], w / p.d[i]);
    }
    f.eval = separable_eval; f.user = &p; f.n = Q; f.dtype = NRX_F64; f.convexity = NRX_CONVEX; f.lip = 1;
    rg.kind = NRX_REG_L1; rg.n = Q; rg.dtype = NRX_F64; rg.weight = w;
    g = nrx_opt_functional(&rg);
    R = away(zero, want, Q); F = composite(&p, w, want); F0 = composite(&p, w, zero);
    for (which = 0; which < 4; which++)
        for (k = 1; k <= 64; k += which == 3 ? 1 : k) {
            nrx_solve_desc d = NRX_ZERO;
            nrx_solve_info info;
            double x[Q] = {0}, y[Q], Fk;
            d.max_iter = (size_t)k; d.tol = -1; d.no_restart = which == 1;
            f.mu = which == 1 ? 0 : mu;
            CHECK_ALWAYS((which == 0 ? nrx_opt_gradient : which < 3 ? nrx_opt_fista : nrx_opt_nmapg)(NULL, NULL, &f, &g, x, &d, &info) == NRX_OK);
            Fk = composite(&p, w, x);
            CHECK_NEAR(info.objective, Fk, 1e-12);
            if (which == 0) CHECK(Fk - F <= R * R / (2 * k) * (1 + 1e-12) && away(x, want, Q) <= pow(1 - mu, k) * R * (1 + 1e-12));
            if (which == 1) CHECK(Fk - F <= 2 * R * R / sq(k + 1));
            if (which == 2) CHECK(Fk - F <= exp(-floor(k / (exp(1) * sqrt(8 / mu)))) * (F0 - F));
            if (info.gap >= 0) CHECK(Fk - F <= info.gap + 1e-12);
            if (which == 0 || which == 2) CHECK(info.gap >= 0);
            if (which == 3) {
                CHECK(Fk <= F0);
                (void)separable_eval(&p, x, NULL, y);
                for (i = 0; i < Q; i++) y[i] = x[i] - soft(x[i] - y[i], w);
                if (away(y, zero, Q) < least) least = away(y, zero, Q);
                CHECK(sq(least) <= 2 * (F0 - F) / k);
            }
        }
}

/* nmAPG iterate by iterate against its definition (Li, Lin 2015, supplement, algorithm 4, with eta = .8, delta = 1e-4 and the step 1/L): each
   value is below the running average c_k by delta |x_{k+1} - y_k|^2, or the plain step's by delta |v - x_k|^2. Returns how often the plain step was
   needed: the problem is ill-conditioned, 1 to .003, so that the momentum overshoots, with a small ripple (weakly convex). */
typedef struct { separable quad; double depth, often; } rippled;
static nrx_status rippled_eval(void *user, const void *x, double *value, void *grad)
{
    const rippled *p = (const rippled *)user;
    int i;
    (void)separable_eval((void *)&p->quad, x, value, grad);
    for (i = 0; i < Q; i++) {
        const double t = p->often * ((const double *)x)[i];
        if (value) *value += p->depth * (1 - cos(t));
        if (grad) ((double *)grad)[i] += p->depth * p->often * sin(t);
    }
    return NRX_OK;
}
static double rippled_sum(rippled *p, double w, const double *x)
{
    double v;
    int i;
    (void)rippled_eval(p, x, &v, NULL);
    for (i = 0; i < Q; i++) v += w * fabs(x[i]);
    return v;
}
static int monitored(void)
{
    enum { STEPS = 120 };
    const double w = 0.001, delta = 1e-4;
    rippled p;
    nrx_functional f = NRX_ZERO, g;
    nrx_opt_reg rg = NRX_ZERO;
    double x[Q] = {0}, z[Q] = {0}, past[Q] = {0}, y[Q], grad[Q], v[Q], got[Q], c, q = 1, t = 1, told = 0, L, Fx;
    int i, k, plain = 0;
    p.depth = 1e-5; p.often = 4;
    L = 1 + p.depth * sq(p.often);
    for (i = 0; i < Q; i++) { p.quad.d[i] = i == 0 ? 1 : 0.003; p.quad.c[i] = 3 * nrx_test_signed(&rnd); }
    f.eval = rippled_eval; f.user = &p; f.n = Q; f.dtype = NRX_F64; f.convexity = NRX_WEAKLY_CONVEX; f.rho = p.depth * sq(p.often); f.lip = L;
    rg.kind = NRX_REG_L1; rg.n = Q; rg.dtype = NRX_F64; rg.weight = w;
    g = nrx_opt_functional(&rg);
    c = Fx = rippled_sum(&p, w, x);
    for (k = 1; k <= STEPS; k++) {
        nrx_solve_desc d = NRX_ZERO;
        nrx_solve_info info;
        double Fz, zy = 0, now = 0.5 * (1 + sqrt(1 + 4 * t * t));
        for (i = 0; i < Q; i++) y[i] = x[i] + told / t * (z[i] - x[i]) + (told - 1) / t * (x[i] - past[i]);
        memcpy(past, x, sizeof x);
        (void)rippled_eval(&p, y, &Fz, grad);
        for (i = 0; i < Q; i++) { z[i] = soft(y[i] - grad[i] / L, w / L); zy += sq(z[i] - y[i]); }
        Fz = rippled_sum(&p, w, z);
        memcpy(x, z, sizeof x);
        if (Fz > c - delta * zy) {
            plain++;
            (void)rippled_eval(&p, past, &zy, grad);
            for (i = 0; i < Q; i++) v[i] = soft(past[i] - grad[i] / L, w / L);
            if (rippled_sum(&p, w, v) <= Fz) memcpy(x, v, sizeof x);
        }
        Fx = rippled_sum(&p, w, x);
        CHECK(Fx <= c + 1e-12);
        told = t;
        t = now;
        c = (0.8 * q * c + Fx) / (0.8 * q + 1);
        q = 0.8 * q + 1;
        memset(got, 0, sizeof got);
        d.max_iter = (size_t)k; d.tol = -1;
        CHECK_ALWAYS(nrx_opt_nmapg(NULL, NULL, &f, &g, got, &d, &info) == NRX_OK);
        CHECK(away(got, x, Q) <= 1e-9 && fabs(info.objective - Fx) <= 1e-9);
    }
    return plain;
}

/* 1/2 sum e (x - c)^2 + w |K x|_1, K = diag(s): x = soft(c, w s / e), y = e (c - x) / s. With z_k = (x_k, y_{k+1}) a step is the proximal point
   step (h and the quadratic as g; alpha = 1/2) or Condat-Vu's averaged map (quadratic by its gradient; alpha = 1/delta, delta = 2 - L/2 /
   (1/tau - sigma |K|^2): Condat 2013, theorem 3.1) in the norm of M = [1/tau -K'; -K 1/sigma]: |z_k - z| never grows, and
   |z_{k+1} - z_k|^2 <= alpha / (1 - alpha) |z_0 - z|^2 / (k + 1). */
static double m_norm(const double *s, double tau, double sigma, const double *x, const double *y)
{
    double t = 0;
    int i;
    for (i = 0; i < Q; i++) t += x[i] * x[i] / tau + y[i] * y[i] / sigma - 2 * s[i] * x[i] * y[i];
    return t;
}
static const double *small_diagonal;
static nrx_status small_scale(void *user, const void *x, void *y)
{
    int i;
    (void)user;
    for (i = 0; i < Q; i++) ((double *)y)[i] = small_diagonal[i] * ((const double *)x)[i];
    return NRX_OK;
}
static nrx_linop small_op(const double *s)
{
    nrx_linop op = NRX_ZERO;
    small_diagonal = s;
    op.apply = small_scale; op.adjoint = small_scale; op.rows = op.cols = Q; op.dtype = NRX_F64; op.norm = 1;
    return op;
}
static void saddle(int condat)
{
    enum { STEPS = 24 };
    const double e = 0.3 + nrx_test_uniform(&rnd), w = 0.3;
    double s[Q], c[Q], want[Q], dual[Q], x[STEPS + 2][Q], y[STEPS + 2][Q], tau = 1, sigma, alpha, start = 0, last = HUGE_VAL;
    separable p;
    nrx_functional f = NRX_ZERO, g, h;
    nrx_opt_reg rg = NRX_ZERO, rh = NRX_ZERO;
    nrx_linop op;
    int i, k;
    for (i = 0; i < Q; i++) {
        s[i] = i == 0 ? 1 : 0.1 + 0.9 * nrx_test_uniform(&rnd);
        p.d[i] = e;
        p.c[i] = c[i] = 2 * nrx_test_signed(&rnd);
        want[i] = soft(c[i], w * s[i] / e);
        dual[i] = e * (c[i] - want[i]) / s[i];
    }
    op = small_op(s);
    f.eval = separable_eval; f.user = &p; f.n = Q; f.dtype = NRX_F64; f.convexity = NRX_CONVEX; f.lip = e;
    rg.kind = NRX_REG_L2_SQUARED; rg.n = Q; rg.dtype = NRX_F64; rg.data = c; rg.weight = e;
    rh.kind = NRX_REG_L1; rh.n = Q; rh.dtype = NRX_F64; rh.weight = w;
    g = nrx_opt_functional(&rg); h = nrx_opt_functional(&rh);
    memset(x, 0, sizeof x);
    memset(y, 0, sizeof y);
    for (k = 1; k <= STEPS + 1; k++) {
        nrx_solve_desc d = NRX_ZERO;
        nrx_solve_info info;
        d.max_iter = (size_t)k; d.tol = -1; d.gamma = -1;
        CHECK_ALWAYS(nrx_opt_pdhg(&op, condat ? NULL : &g, &h, condat ? &f : NULL, x[k], y[k - 1], &d, &info) == NRX_OK);
        tau = info.step;
        if (!condat) CHECK(info.gap >= 0);
    }
    sigma = 0.99;
    alpha = condat ? 1 / (2 - 0.5 * e / (1 / tau - sigma)) : 0.5;
    CHECK(alpha < 1);
    for (k = 0; k <= STEPS; k++) {
        double dx[Q], dy[Q], at;
        for (i = 0; i < Q; i++) { dx[i] = x[k][i] - want[i]; dy[i] = y[k][i] - dual[i]; }
        at = m_norm(s, tau, sigma, dx, dy);
        if (k == 0) start = at;
        CHECK(at <= last * (1 + 1e-12));
        last = at;
        if (k == STEPS) break;
        for (i = 0; i < Q; i++) { dx[i] = x[k + 1][i] - x[k][i]; dy[i] = y[k + 1][i] - y[k][i]; }
        CHECK(m_norm(s, tau, sigma, dx, dy) <= alpha / (1 - alpha) * start / (k + 1) * (1 + 1e-12));
    }
}

/* 1/2 |A x - b|^2 + w |x|_1, A = diag(d), ADMM relaxed by 1.6 with penalty rho: the variable before g's prox contracts by
   q = .2 + .8 max((L - rho)/(L + rho), (rho - mu)/(rho + mu)), L and mu the extremes of d^2 (Giselsson, Boyd 2017, theorem 2), and x by
   1/(1 + mu/rho) of that. A = I has no inner iteration; otherwise the inner solves to a tenth of the residuals get a factor 2. */
static void admm(int inner)
{
    const double rho = 0.3 + 2 * nrx_test_uniform(&rnd), w = 0.3, low = inner ? 0.25 : 1;
    double s[Q], b[Q], want[Q], R = 0, q = fmax((1 - rho) / (1 + rho), (rho - low) / (rho + low));
    nrx_opt_reg rg = NRX_ZERO;
    nrx_functional g;
    nrx_linop A;
    int i, k, seen = 0;
    q = 0.2 + 0.8 * q;
    for (i = 0; i < Q; i++) {
        s[i] = !inner || i == 0 ? 1 : i == 1 ? 0.5 : 0.5 + 0.5 * nrx_test_uniform(&rnd);
        b[i] = 2 * nrx_test_signed(&rnd);
        want[i] = soft(b[i] / s[i], w / (s[i] * s[i]));
        R += sq(want[i] + s[i] * (b[i] - s[i] * want[i]) / rho);
    }
    A = small_op(s);
    rg.kind = NRX_REG_L1; rg.n = Q; rg.dtype = NRX_F64; rg.weight = w;
    g = nrx_opt_functional(&rg);
    for (k = 1; k <= 40; k++) {
        nrx_solve_desc d = NRX_ZERO;
        nrx_solve_info info;
        double x[Q] = {0};
        d.max_iter = (size_t)k; d.tol = -1; d.step = rho;
        CHECK_ALWAYS(nrx_opt_admm(inner ? &A : NULL, b, NULL, &g, x, &d, &info) == NRX_OK);
        if (info.step != rho) continue;                /* the penalty was balanced on the way: another q */
        seen++;
        CHECK(away(x, want, Q) <= (inner ? 2 : 1) * pow(q, k - 1) * sqrt(R) / (1 + low / rho) + 1e-13);
    }
    CHECK(seen >= 9);                                  /* the first balance is at the end of step 10 */
}

/* 1/2 sum e (x - c)^2 + sum_i w |K_i x|_1, K_i = a_i times the i-th third of the unit matrix: y as above. In expectation the energy of
   Chambolle, Ehrhardt, Richtarik, Schoenlieb 2018 (lemma 4.4; theorem 4.3) falls by (1 - gamma)/2 |x_{k+1} - x_k|^2 / tau a step,
   gamma^2 = tau sigma_i |K_i|^2 / p_i, from C = |x_0 - x|^2 / (2 tau) + sum_i |y_i|^2 / (2 sigma_i p_i): over B = 3 steps an epoch,
   sum_k |x_k - x_{k-1}|^2 <= B 2 C tau / (1 - gamma), and what it falls by holds the Bregman distances, of which g's is e/2 |x_k - x|^2: their sum
   over all steps is at most C + sum_i (1/p_i - 1) D_i, D_i = w |K_i x|_1 that of h_i* at 0 (theorem 4.3 before its averages). Bilinear: no g, and h
   the indicator of K x = b, y = 0; there a method without the extrapolation runs away, and (1 - gamma) |x_k - x|^2 / (2 tau) <= C. The means are
   over all problems, relative to each bound. */
typedef struct { int at; double a; } part;
static nrx_status part_apply(void *user, const void *x, void *y)
{
    const part *p = (const part *)user;
    int i;
    for (i = 0; i < Q / 3; i++) ((double *)y)[i] = p->a * ((const double *)x)[p->at + i];
    return NRX_OK;
}
static nrx_status part_adjoint(void *user, const void *y, void *x)
{
    const part *p = (const part *)user;
    int i;
    memset(x, 0, Q * sizeof(double));
    for (i = 0; i < Q / 3; i++) ((double *)x)[p->at + i] = p->a * ((const double *)y)[i];
    return NRX_OK;
}
typedef struct { double at[Q / 3]; } point;
static nrx_status point_prox(void *user, double tau, const void *v, void *x)
{
    (void)tau;
    (void)v;
    memcpy(x, ((const point *)user)->at, sizeof(point));
    return NRX_OK;
}
static void stochastic(int bilinear, double *ratio, double *final)
{
    enum { B = 3, EPOCHS = 24 };
    const double e = 0.3 + nrx_test_uniform(&rnd), w = 0.3, a[B] = {1, 1, 1}, p = 1.0 / B;
    double c[Q], want[Q], C = 0, D = 0, x[EPOCHS + 1][Q], sum = 0, bregman = 0, gamma, tau = 1, sigma = 0.99;
    part parts[B];
    point points[B];
    nrx_linop K[B];
    nrx_functional h[B], g;
    nrx_opt_reg rg = NRX_ZERO, rh = NRX_ZERO;
    int i, k;
    rg.kind = NRX_REG_L2_SQUARED; rg.n = Q; rg.dtype = NRX_F64; rg.data = c; rg.weight = e;
    rh.kind = NRX_REG_L1; rh.n = Q / 3; rh.dtype = NRX_F64; rh.weight = w;
    g = nrx_opt_functional(&rg);
    memset(K, 0, sizeof K);
    for (k = 0; k < B; k++) {
        parts[k].at = k * Q / 3; parts[k].a = a[k];
        K[k].apply = part_apply; K[k].adjoint = part_adjoint; K[k].user = &parts[k]; K[k].rows = Q / 3; K[k].cols = Q; K[k].dtype = NRX_F64;
        K[k].norm = a[k];
        h[k] = nrx_opt_functional(&rh);
        if (bilinear) { h[k].eval = NULL; h[k].prox = point_prox; h[k].user = &points[k]; }
    }
    memset(x, 0, sizeof x);
    for (i = 0; i < Q; i++) points[i / (Q / 3)].at[i % (Q / 3)] = c[i] = 2 * nrx_test_signed(&rnd);
    for (k = 1; k <= EPOCHS; k++) {
        nrx_solve_desc d = NRX_ZERO;
        nrx_solve_info info;
        d.max_iter = (size_t)k; d.tol = -1; d.seed = rnd.s; d.history = NULL;
        CHECK_ALWAYS(nrx_opt_spdhg(K, h, B, bilinear ? NULL : &g, x[k], &d, &info) == NRX_OK);
        tau = info.step;
        sum += sq(away(x[k], x[k - 1], Q));
    }
    for (i = 0; i < Q; i++) {
        want[i] = bilinear ? c[i] : soft(c[i], w / e);
        C += want[i] * want[i] / (2 * tau) + sq(bilinear ? 0 : e * (c[i] - want[i])) / (2 * sigma * p);
        D += bilinear ? 0 : w * fabs(want[i]);
    }
    gamma = sqrt(tau * sigma / p);
    for (k = 1; k <= EPOCHS; k++) bregman += 0.5 * e * sq(away(x[k], want, Q));
    *ratio += sum / (B * 2 * C * tau / (1 - gamma)) / 100;
    *final += (bilinear ? (1 - gamma) / (2 * tau) * sq(away(x[EPOCHS], want, Q)) / C : bregman / (C + (1 / p - 1) * D)) / 100;
}

/* f = sum w_i |x_i - s_i|: |subgradient| <= G = |w|. Polyak's step: best f <= G R / sqrt(k + 1); step h / sqrt(i + 1) along the unit
   subgradient: G (R^2 + h^2 sum 1/(i + 1)) / (2 h sum 1/sqrt(i + 1)) (Polyak 1987, sections 5.3.1 and 5.3.2). */
typedef struct { double w[Q], s[Q]; } absolute;
static nrx_status absolute_eval(void *user, const void *x, double *value, void *grad)
{
    const absolute *p = (const absolute *)user;
    double v = 0;
    int i;
    for (i = 0; i < Q; i++) {
        const double e = ((const double *)x)[i] - p->s[i];
        v += p->w[i] * fabs(e);
        if (grad) ((double *)grad)[i] = e > 0 ? p->w[i] : e < 0 ? -p->w[i] : 0;
    }
    if (value) *value = v;
    return NRX_OK;
}
static void subgradient(void)
{
    absolute p;
    nrx_functional f = NRX_ZERO;
    double zero[Q] = {0}, R, G = 0;
    int i, k, which;
    for (i = 0; i < Q; i++) { p.w[i] = 0.1 + nrx_test_uniform(&rnd); p.s[i] = nrx_test_signed(&rnd); G += sq(p.w[i]); }
    G = sqrt(G);
    R = away(zero, p.s, Q);
    f.eval = absolute_eval; f.user = &p; f.n = Q; f.dtype = NRX_F64; f.convexity = NRX_CONVEX;
    for (which = 0; which < 2; which++)
        for (k = 1; k <= 256; k *= 4) {
            nrx_solve_desc d = NRX_ZERO;
            nrx_solve_info info;
            double x[Q] = {0}, bound, one = 0, two = 0, h = 0.5;
            for (i = 0; i <= k; i++) { one += 1 / sqrt(i + 1.0); two += 1 / (i + 1.0); }
            bound = which ? G * (R * R + h * h * two) / (2 * h * one) : G * R / sqrt(k + 1.0);
            d.max_iter = (size_t)k; d.tol = -1; d.use_target = !which; d.step = h;
            CHECK_ALWAYS(nrx_opt_subgradient(&f, NULL, x, &d, &info) == NRX_OK);
            CHECK(info.objective <= bound * (1 + 1e-12));
        }
}

/* r_i = e_i + .2 e_i e_{i+1}, e = x - s: no residual at s. The damping is m_k |r_k| / |r_0| with m_k from 1e-3 of the largest diagonal entry of J'J
   and, as here every step gains more than half of what it promised, falling: quadratic convergence (Fan 2003; Yamashita, Fukushima 2001), with the
   constant of this problem: e+ = l (J'J + l)^-1 e + (J'J + l)^-1 J' q, |q| <= .2 |e|^2, for |e_i| <= .2: sigma_min(J) >= .92, l <= 1.2e-3 |e| / |e_0|,
   so that |e+| <= (.2/.92 + 1.2e-3/.92^2 / |e_0|) |e|^2. */
static nrx_status bent(void *user, const double *x, double *r, double *J)
{
    const double *s = (const double *)user;
    int i;
    if (J) memset(J, 0, Q * Q * sizeof *J);
    for (i = 0; i < Q; i++) {
        const int n = (i + 1) % Q;
        r[i] = (x[i] - s[i]) * (1 + 0.2 * (x[n] - s[n]));
        if (J) { J[i * Q + i] = 1 + 0.2 * (x[n] - s[n]); J[i * Q + n] = 0.2 * (x[i] - s[i]); }
    }
    return NRX_OK;
}
static void levenberg(void)
{
    double s[Q], x0[Q], was, now;
    int i, k;
    for (i = 0; i < Q; i++) { s[i] = 2 * nrx_test_signed(&rnd); x0[i] = s[i] + 0.2 * nrx_test_signed(&rnd); }
    was = away(x0, s, Q);
    for (k = 1; k <= 6; k++, was = now) {
        nrx_solve_desc d = NRX_ZERO;
        double x[Q];
        memcpy(x, x0, sizeof x);
        d.max_iter = (size_t)k; d.tol = -1;
        CHECK_ALWAYS(nrx_opt_levenberg(bent, s, Q, Q, x, &d, NULL) == NRX_OK);
        now = away(x, s, Q);
        CHECK(now <= (0.2174 + 1.42e-3 / away(x0, s, Q)) * was * was + 2e-15);
    }
    CHECK(now < 1e-14);
}

/* T x = s + R (x - s), R rotations in Q/2 planes: |x_k - T x_k| <= 2 |x_0 - s| / (k + 1) (Lieder 2021, theorem 2.1). With R scaled to norm
   c = .9: Anderson is no worse than the map itself, c^k (Toth, Kelley 2015, theorem 2.1). */
typedef struct { double s[Q], turn[Q / 2], shrink; } rotation;
static nrx_status rotate(void *user, const void *x, void *tx)
{
    const rotation *p = (const rotation *)user;
    int i;
    for (i = 0; i < Q / 2; i++) {
        const double a = ((const double *)x)[2 * i] - p->s[2 * i], b = ((const double *)x)[2 * i + 1] - p->s[2 * i + 1];
        ((double *)tx)[2 * i] = p->s[2 * i] + p->shrink * (cos(p->turn[i]) * a - sin(p->turn[i]) * b);
        ((double *)tx)[2 * i + 1] = p->s[2 * i + 1] + p->shrink * (sin(p->turn[i]) * a + cos(p->turn[i]) * b);
    }
    return NRX_OK;
}
static void fixed_points(void)
{
    rotation p;
    int i, k, which;
    for (i = 0; i < Q; i++) { p.s[i] = nrx_test_signed(&rnd); p.turn[i / 2] = 3.1 * nrx_test_signed(&rnd); }
    for (which = 0; which < 2; which++)
        for (k = 1; k <= 40; k += 1 + k / 3) {
            nrx_solve_desc d = NRX_ZERO;
            double x[Q] = {0}, tx[Q], zero[Q] = {0}, first;
            p.shrink = which ? 0.9 : 1;
            (void)rotate(&p, zero, tx);
            first = away(zero, tx, Q);
            d.max_iter = (size_t)k; d.tol = -1;
            CHECK_ALWAYS((which ? nrx_opt_anderson : nrx_opt_halpern)(rotate, &p, Q, NRX_F64, x, &d, NULL) == NRX_OK);
            (void)rotate(&p, x, tx);
            if (which) CHECK(away(x, tx, Q) <= pow(0.9, k) * first * (1 + 1e-9) + 1e-14);
            else CHECK(away(x, tx, Q) <= 2 * away(zero, p.s, Q) / (k + 1) * (1 + 1e-12));
        }
}

/* F_i(x) = (I - R_i)(x - s)/2 + c_i, R_i a rotation in each of the Q/2 planes: exactly 1-cocoercive, L = 1; the c_i sum to zero. The guarantees
   of the header, with its constants: (E |F(x_k)|^2)^(1/2) <= L R (16/(k + 4) + (3/4)/((k + 2)(k + 3))) and, from which it follows, E V_k <= 3/4 L R^2
   for V_k = h (k+2)(k+3)(k+4)/4 |F(x_k)|^2 + (k+2)(k+3) <F(x_k), x_k - x_0>. The means are over all problems, relative to each bound. */
enum { COMPONENTS = 36 };
typedef struct { double s[Q], turn[COMPONENTS][Q / 2], c[COMPONENTS][Q]; int count; } rows;
static nrx_status row(void *user, size_t i, const void *x, void *fx)
{
    const rows *p = (const rows *)user;
    int j;
    for (j = 0; j < Q / 2; j++) {
        const double a = ((const double *)x)[2 * j] - p->s[2 * j], b = ((const double *)x)[2 * j + 1] - p->s[2 * j + 1];
        const double c = cos(p->turn[i][j]), d = sin(p->turn[i][j]);
        ((double *)fx)[2 * j] = 0.5 * (a - c * a + d * b) + p->c[i][2 * j];
        ((double *)fx)[2 * j + 1] = 0.5 * (b - d * a - c * b) + p->c[i][2 * j + 1];
    }
    return NRX_OK;
}
static void rows_draw(rows *p, int count, double about)
{
    int i, j;
    p->count = count;
    for (j = 0; j < Q; j++) p->s[j] = nrx_test_signed(&rnd);
    for (i = 0; i < count; i++) for (j = 0; j < Q / 2; j++) p->turn[i][j] = about + (i % 2 ? 1 : -1) * 1.5 * nrx_test_uniform(&rnd);
    for (j = 0; j < Q; j++) {
        double mean = 0;
        for (i = 0; i < count; i++) mean += p->c[i][j] = nrx_test_signed(&rnd);
        for (i = 0; i < count; i++) p->c[i][j] -= mean / count;
    }
}
static void rows_mean(const rows *p, const double *x, double *F)
{
    double t[Q];
    int i, j;
    memset(F, 0, Q * sizeof *F);
    for (i = 0; i < p->count; i++) { (void)row((void *)p, (size_t)i, x, t); for (j = 0; j < Q; j++) F[j] += t[j] / p->count; }
}
/* Without g the iterates give F~_k and so e_k: E |e_{k+1}|^2 <= (1 - p_{k+1}) (E |e_k|^2 + D_k/b), summed over 20 steps of all problems. */
static void estimator(const rows *p, double *left, double *right)
{
    enum { STEPS = 22 };
    double x[STEPS + 1][Q] = {{0}}, F[Q], t[Q], u[Q], was = 0;
    int i, k, q;
    for (k = 1; k <= STEPS; k++) {
        nrx_solve_desc d = NRX_ZERO;
        d.max_iter = (size_t)k; d.tol = -1; d.seed = rnd.s;
        CHECK_ALWAYS(nrx_opt_vr_halpern(row, (void *)p, COMPONENTS, Q, NRX_F64, 1.0, NULL, x[k], &d, NULL) == NRX_OK);
    }
    for (k = 0; k < STEPS; k++) {
        const double l = 2.0 / (k + 4), chance = k <= 7 ? 4.0 / (k + 4) : 4.0 / 11; /* sqrt 36 = 6 */
        double e = 0, D = 0;
        rows_mean(p, x[k], F);
        for (i = 0; i < Q; i++) e += sq((l * x[0][i] + (1 - l) * x[k][i] - x[k + 1][i]) / 0.25 - F[i]);
        if (k < 2) CHECK(e < 1e-25);
        else {
            for (q = 0; q < COMPONENTS; q++) {
                (void)row((void *)p, (size_t)q, x[k], t);
                (void)row((void *)p, (size_t)q, x[k - 1], u);
                D += sq(away(t, u, Q)) / COMPONENTS;
            }
            *left += e;
            *right += (1 - chance) * (was + D / 6);
        }
        was = e;
    }
}
static void variance_reduced(double *ratio, double *potential, double *left, double *right)
{
    static const int length[6] = {1, 4, 16, 80, 400, 2000};
    rows p;
    double zero[Q] = {0}, R;
    int i, k;
    rows_draw(&p, COMPONENTS, 0.3);
    estimator(&p, left, right);
    R = away(zero, p.s, Q);
    for (k = 0; k < 6; k++) {
        const double n = length[k];
        nrx_solve_desc d = NRX_ZERO;
        double x[Q] = {0}, F[Q], V = 0;
        d.max_iter = (size_t)length[k]; d.tol = -1; d.seed = rnd.s;
        CHECK_ALWAYS(nrx_opt_vr_halpern(row, &p, COMPONENTS, Q, NRX_F64, 1.0, NULL, x, &d, NULL) == NRX_OK);
        rows_mean(&p, x, F);
        for (i = 0; i < Q; i++) V += (n + 2) * (n + 3) * ((n + 4) / 16 * F[i] * F[i] + F[i] * x[i]);
        ratio[k] += sq(away(F, zero, Q)) / sq(R * (16 / (n + 4) + 0.75 / ((n + 2) * (n + 3)))) / 100;
        potential[k] += V / (0.75 * R * R) / 100;
    }
}

/* Few components (all of them in each step, so nothing is random) and g = the box |x_i - 1/2| <= 1/4, in which g_k is recovered from two iterates:
   V_k with F + g_k in place of F never grows from k = 1 on, V_1 <= 3/h |x_0 - x_1|^2 and the bound with its constant 14 holds at each k. */
static void halpern_box(void)
{
    enum { STEPS = 24 };
    const double h = 0.25;
    rows p;
    nrx_opt_reg rg = NRX_ZERO;
    nrx_functional g;
    double low[Q], high[Q], x[STEPS + 1][Q], want[Q] = {0}, F[Q], last = HUGE_VAL;
    nrx_solve_desc d = NRX_ZERO;
    int i, k;
    rows_draw(&p, 7, 0.8);
    for (i = 0; i < Q; i++) { low[i] = 0.25; high[i] = 0.75; x[0][i] = 2 * nrx_test_signed(&rnd); }
    rg.kind = NRX_REG_BOX; rg.n = Q; rg.dtype = NRX_F64; rg.a = 0.25; rg.b = 0.75;
    g = nrx_opt_functional(&rg);
    for (k = 0; k < 20000; k++) { /* strongly monotone: the fixed point of the forward-backward map, by itself */
        rows_mean(&p, want, F);
        for (i = 0; i < Q; i++) want[i] = fmin(high[i], fmax(low[i], want[i] - 0.5 * F[i]));
    }
    for (k = 1; k <= STEPS; k++) {
        nrx_solve_info info;
        const double l = 2.0 / (k + 3), R = away(x[0], want, Q);
        double V = 0, t[Q];
        memcpy(x[k], x[0], sizeof x[0]);
        d.max_iter = (size_t)k; d.tol = -1;
        CHECK_ALWAYS(nrx_opt_vr_halpern(row, &p, 7, Q, NRX_F64, 1.0, &g, x[k], &d, &info) == NRX_OK);
        rows_mean(&p, x[k - 1], F);
        for (i = 0; i < Q; i++) t[i] = (l * x[0][i] + (1 - l) * x[k - 1][i] - x[k][i]) / h - F[i]; /* g_k */
        rows_mean(&p, x[k], F);
        for (i = 0; i < Q; i++) { /* it is in the normal cone of the box */
            F[i] += t[i];
            CHECK(x[k][i] >= low[i] && x[k][i] <= high[i] && (t[i] <= 1e-12 || x[k][i] == high[i]) && (t[i] >= -1e-12 || x[k][i] == low[i]));
            V += (k + 2) * (k + 3) * (h * (k + 4) / 4 * F[i] * F[i] + F[i] * (x[k][i] - x[0][i]));
        }
        if (k == 1) CHECK(V <= 3 / h * sq(away(x[0], x[1], Q)) * (1 + 1e-12));
        CHECK(V <= last + 1e-10);
        memset(t, 0, sizeof t);
        CHECK(away(F, t, Q) <= R * (16.0 / (k + 4) + 14.0 / ((k + 2) * (k + 3))) * (1 + 1e-12));
        last = V;
    }
}

/* exp(f/epsilon) and exp(g/epsilon) contract in Hilbert's metric by tanh(D/4)^2 a sweep, D = the diameter of exp(-C/epsilon) (Franklin, Lorenz
   1989; Peyre, Cuturi 2019, theorem 4.2). */
static double hilbert(const double *f, const double *s, double epsilon, int n)
{
    double hi = -HUGE_VAL, lo = HUGE_VAL;
    int i;
    for (i = 0; i < n; i++) { hi = fmax(hi, f[i] - s[i]); lo = fmin(lo, f[i] - s[i]); }
    return (hi - lo) / epsilon;
}
static void transport(void)
{
    enum { R = 5, C = 6 };
    const double epsilon = 0.3 + 0.5 * nrx_test_uniform(&rnd);
    double cost[R * C], r[R], c[C], f[R], g[C], fs[R] = {0}, gs[C] = {0}, start, q, D = 0, a = 0, b = 0;
    nrx_solve_desc d = NRX_ZERO;
    nrx_solve_info info;
    int i, j, k, l;
    for (i = 0; i < R * C; i++) cost[i] = nrx_test_uniform(&rnd);
    for (i = 0; i < R; i++) a += r[i] = 0.1 + nrx_test_uniform(&rnd);
    for (i = 0; i < C; i++) b += c[i] = 0.1 + nrx_test_uniform(&rnd);
    for (i = 0; i < C; i++) c[i] *= a / b;
    for (i = 0; i < R; i++) for (j = 0; j < R; j++) for (k = 0; k < C; k++) for (l = 0; l < C; l++)
        D = fmax(D, (-cost[i * C + k] - cost[j * C + l] + cost[j * C + k] + cost[i * C + l]) / epsilon);
    q = sq(tanh(D / 4));
    d.tol = -1; d.max_iter = 300;
    CHECK_ALWAYS(nrx_opt_sinkhorn(R, C, cost, r, c, epsilon, fs, gs, NULL, &d, &info) == NRX_OK);
    memset(g, 0, sizeof g);
    start = hilbert(g, gs, epsilon, C);
    for (k = 1; k <= 12; k++) {
        memset(f, 0, sizeof f);
        memset(g, 0, sizeof g);
        d.max_iter = (size_t)k;
        CHECK_ALWAYS(nrx_opt_sinkhorn(R, C, cost, r, c, epsilon, f, g, NULL, &d, &info) == NRX_OK);
        CHECK(hilbert(g, gs, epsilon, C) <= pow(q, k) * start + 1e-12);
        CHECK(hilbert(f, fs, epsilon, R) <= pow(q, k - 0.5) * start + 1e-12);
    }
}

/* BiCGStab ends after n steps (van der Vorst 1992) but for rounding: I + .3 random, n = 12. */
typedef struct { double a[Q * Q]; } square;
static nrx_status square_apply(void *user, const void *x, void *y)
{
    const square *p = (const square *)user;
    int i, j;
    for (i = 0; i < Q; i++) { double t = 0; for (j = 0; j < Q; j++) t += p->a[i * Q + j] * ((const double *)x)[j]; ((double *)y)[i] = t; }
    return NRX_OK;
}
static void bicgstab(void)
{
    square p;
    nrx_linop op = NRX_ZERO;
    nrx_solve_desc d = NRX_ZERO;
    double s[Q], b[Q], x[Q] = {0}, zero[Q] = {0};
    int i;
    for (i = 0; i < Q * Q; i++) p.a[i] = 0.3 * nrx_test_signed(&rnd) + (i % (Q + 1) == 0);
    for (i = 0; i < Q; i++) s[i] = nrx_test_signed(&rnd);
    (void)square_apply(&p, s, b);
    op.apply = square_apply; op.user = &p; op.rows = op.cols = Q; op.dtype = NRX_F64;
    d.max_iter = Q; d.tol = -1;
    CHECK_ALWAYS(nrx_opt_bicgstab(&op, b, x, &d, NULL) == NRX_OK);
    CHECK(away(x, s, Q) <= 1e-6 * away(zero, s, Q));
}

int main(void)
{
    const double q = 9.0 / 11.0;
    double spdhg[2] = {0}, final[2] = {0}, vr[6] = {0}, potential[6] = {0}, left = 0, right = 0;
    int p, plain = 0;
    for (p = 0; p < 100; p++) {
        krylov(nrx_opt_cg, 0.01, 0, 1, q, 1);              /* condition 100: (10 - 1)/(10 + 1) in the energy norm */
        krylov(nrx_opt_minres, 0.01, 0, 2, q, 1);          /* the same for the residual */
        krylov(nrx_opt_gmres, 0.01, 0, 2, q, 1);
        krylov(nrx_opt_minres, 0.1, 1, 2, q, 2);           /* indefinite, condition 10: (10 - 1)/(10 + 1) every two steps */
        krylov(nrx_opt_gmres, 0.1, 1, 2, q, 2);
        krylov(nrx_opt_cgls, 0.1, 0, 2, q, 1);             /* singular values .1 to 1 */
        krylov(nrx_opt_lsqr, 0.1, 0, 2, q, 1);
        gradients();
        primal_dual();
        smooth();
        paths();
        plain += monitored();
        proximal();
        saddle(0);
        saddle(1);
        admm(0);
        admm(1);
        stochastic(0, spdhg, final);
        stochastic(1, spdhg + 1, final + 1);
        subgradient();
        levenberg();
        fixed_points();
        variance_reduced(vr, potential, &left, &right);
        halpern_box();
        transport();
        bicgstab();
    }
    CHECK(plain >= 100); /* the plain step of nmAPG was needed */
    CHECK(spdhg[0] <= 1 && spdhg[1] <= 1 && final[0] <= 1 && final[1] <= 1);
    CHECK(left <= 1.2 * right && left >= 0.3 * right); /* a mean of 2000: four standard errors, at most */
    for (p = 0; p < 6; p++) CHECK(vr[p] <= 1 && potential[p] <= 1);
    return nrx_test_end();
}
