/* Theoretical rates of the solvers on diagonal problems whose solution is known: every bound is the textbook's, with its constant.
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
static double solution(int i) { return 1.0 + 0.5 * cos(3.0 * i); }
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
    double b[N], x[N] = {0}, start = error(x, power);
    int k;
    right_side(b);
    for (k = 1; k <= 64; k *= 2) {
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
        right_side(b);
        memset(x, 0, sizeof x);
        R = error(x, 0);
        for (k = 1; k <= 256; k *= 2) {
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
        c[i] = 2 * cos(1.7 * i);
        want[i] = c[i] > t ? c[i] - t : c[i] < -t ? c[i] + t : 0;
        R2 += want[i] * want[i];
        Y2 += pow(gamma * (c[i] - want[i]) / diagonal[i], 2);
    }
    rg.kind = NRX_REG_L2_SQUARED; rg.n = N; rg.dtype = NRX_F64; rg.data = c; rg.weight = gamma;
    rh.kind = NRX_REG_L1; rh.n = N; rh.dtype = NRX_F64; rh.weight = weight;
    g = nrx_opt_functional(&rg); h = nrx_opt_functional(&rh);
    for (k = 16; k <= 4096; k *= 2) {
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

int main(void)
{
    const double q = 9.0 / 11.0;
    krylov(nrx_opt_cg, 0.01, 0, 1, q, 1);              /* condition 100: (10 - 1)/(10 + 1) in the energy norm */
    krylov(nrx_opt_minres, 0.01, 0, 2, q, 1);          /* the same for the residual */
    krylov(nrx_opt_gmres, 0.01, 0, 2, q, 1);
    krylov(nrx_opt_minres, 0.1, 1, 2, q, 2);           /* indefinite, condition 10: (10 - 1)/(10 + 1) every two steps */
    krylov(nrx_opt_gmres, 0.1, 1, 2, q, 2);
    krylov(nrx_opt_cgls, 0.1, 0, 2, q, 1);             /* singular values .1 to 1 */
    krylov(nrx_opt_lsqr, 0.1, 0, 2, q, 1);
    gradients();
    primal_dual();
    return nrx_test_end();
}
