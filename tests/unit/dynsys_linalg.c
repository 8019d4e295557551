/* The small linear algebra and FFT of nrx_dynsys.h against the shared blocks in nrx_tensor.h, which share no code with them: singular
   values (graded ones to high relative accuracy), least squares, symmetric and general eigenvalues, transforms of every kind of length.
   And the inlined field of the solver against the same field through its pointer.
   SPDX-License-Identifier: MIT-0 OR Unlicense */
#include "nrx_test.h"
#include "nrx_dynsys.h"

static int from_pointer; /* by which way was the field called last? */
static nrx_status twin(void *user, double t, const double *y, double *d)
{
    (void)user; (void)t;
    d[0] = 10 * (y[1] - y[0]); d[1] = y[0] * (28 - y[2]) - y[1]; d[2] = y[0] * y[1] - 8.0 / 3 * y[2];
    return NRX_OK;
}
static nrx_status inlined(void *user, double t, const double *y, double *d) { from_pointer = 0; return twin(user, t, y, d); }
static nrx_status pointed(void *user, double t, const double *y, double *d) { from_pointer = 1; return twin(user, t, y, d); }
#define NRX_DYN_INLINE_FIELD inlined
#define NRX_DYN_INLINE_SIZE 3
#define NRX_DYNSYS_IMPLEMENTATION
#include "nrx_dynsys.h"
#define NRX_TENSOR_IMPLEMENTATION
#include "nrx_tensor.h"

enum { MAXN = 40, BIG = 1030 };
static double A[60 * MAXN], B[60 * MAXN], U[60 * MAXN], V[MAXN * MAXN], U2[60 * MAXN], V2[MAXN * MAXN], work[400000], s[MAXN], s2[MAXN];

static void fill(nrx_test_rng *r, size_t n, double *x)
{
    size_t i;
    for (i = 0; i < n; i++) x[i] = nrx_test_signed(r);
}

static void singular(void)
{
    static const size_t shape[6][2] = {{1, 1}, {5, 3}, {3, 5}, {40, 20}, {60, 35}, {20, 20}};
    nrx_test_rng r = {11};
    size_t c, i, j, k;
    for (c = 0; c < 6; c++) {
        size_t m = shape[c][0], n = shape[c][1], p = m < n ? m : n;
        double back = 0;
        fill(&r, m * n, A);
        memcpy(B, A, m * n * sizeof *A);
        CHECK(nrxi_dyn_svd_work(m, n) < 400000 && nrxi_svd_work(m, n) < 400000);
        CHECK(nrxi_svd(m, n, B, n, s2, U2, p, V2, n, work) == NRX_OK);
        memcpy(B, A, m * n * sizeof *A);
        CHECK(nrxi_dyn_svd(m, n, B, s, U, V, work) == NRX_OK);
        for (i = 0; i < p; i++) CHECK_NEAR(s[i], s2[i], 1e-13 * s2[0]);
        for (i = 0; i < m; i++) for (j = 0; j < n; j++) {
            double a = 0;
            for (k = 0; k < p; k++) a += U[i * p + k] * s[k] * V[k * n + j];
            back = fmax(back, fabs(a - A[i * n + j]));
        }
        CHECK(back < 1e-13 * s[0]);
    }
    /* columns of sizes 1, 1e-2, ..., 1e-18, orthogonal up to rotations of rows: each singular value is known to its own relative accuracy */
    for (i = 0; i < 30; i++) for (j = 0; j < 10; j++) A[i * 10 + j] = cos(3.14159265358979323846 * ((double)i + 0.5) * (double)(j + 1) / 30) * pow(10, -2.0 * (double)j) * sqrt(2.0 / 30);
    CHECK(nrxi_dyn_svd(30, 10, A, s, U, V, work) == NRX_OK);
    for (j = 0; j < 10; j++) CHECK_REL(s[j], pow(10, -2.0 * (double)j), 1e-12);
}

static void eigen(void)
{
    nrx_test_rng r = {12};
    size_t n, i, j, k;
    for (n = 1; n <= 21; n += 5) {
        fill(&r, n * n, A);
        for (i = 0; i < n; i++) for (j = 0; j < i; j++) A[j * n + i] = A[i * n + j];
        memcpy(B, A, n * n * sizeof *A);
        CHECK(nrxi_eigh(n, B, n, s2, work) == NRX_OK);
        memcpy(B, A, n * n * sizeof *A);
        CHECK(nrxi_dyn_eigh(n, B, s, V) == NRX_OK);
        { /* either order */
            double lo[MAXN];
            memcpy(lo, s, n * sizeof *s);
            nrxi_dyn_sort(n, lo);
            for (i = 0; i < n; i++) CHECK_NEAR(lo[i], s2[i], 1e-13 * (double)n);
        }
        fill(&r, n * n, A);
        memcpy(B, A, n * n * sizeof *A);
        CHECK(nrxi_dyn_eig_work(n) < 400000 && nrxi_eig_work(n) < 400000);
        CHECK(nrxi_eig(n, B, n, U2, NULL, n, work) == NRX_OK);
        CHECK(nrxi_dyn_eig(n, A, U, NULL, work) == NRX_OK);
        for (i = 0; i < n; i++) { /* each has its match */
            double best = 9;
            for (k = 0; k < n; k++) best = fmin(best, hypot(U[2 * i] - U2[2 * k], U[2 * i + 1] - U2[2 * k + 1]));
            CHECK(best < 1e-11);
        }
    }
}

static void transforms(void)
{
    static const size_t len[12] = {1, 2, 3, 5, 8, 12, 30, 64, 97, 360, 1009, 1024};
    static double x[2 * BIG], y[2 * BIG], z[2 * BIG];
    nrx_test_rng r = {13};
    size_t c, i;
    for (c = 0; c < 12; c++) {
        size_t n = len[c];
        nrxi_dyn_fft p;
        nrxi_fft_f64 q;
        double e = 0, back = 0;
        fill(&r, 2 * n, x);
        CHECK(nrxi_dyn_fft_plan(&p, n, NULL) == NRX_OK && nrxi_fft_plan_f64(&q, n, NULL) == NRX_OK);
        CHECK(nrxi_dyn_fft_work(&p) < 400000 && nrxi_fft_work_f64(&q) < 400000);
        memcpy(y, x, 2 * n * sizeof *x);
        nrxi_dyn_fft_run(&p, 0, y, work);
        nrxi_fft_run_f64(&q, 0, x, z, work);
        for (i = 0; i < 2 * n; i++) e = fmax(e, fabs(y[i] - z[i]));
        CHECK(e < 1e-13 * (double)(n + 10));
        nrxi_dyn_fft_run(&p, 1, y, work);
        for (i = 0; i < 2 * n; i++) back = fmax(back, fmin(fabs(y[i] - x[i]), fabs(y[i] - (double)n * x[i])));
        CHECK(back < 1e-12 * (double)(n + 10));
        nrxi_dyn_fft_drop(&p);
        nrxi_fft_drop_f64(&q);
    }
}

/* The same steps and the same states, forward and backward, with one or several tolerances, stepwise and with dense output. */
static void inlined_field(void)
{
    static const double many[3] = {1e-10, 1e-10, 1e-10};
    int k;
    for (k = 0; k < 4; k++) {
        nrx_vfield f = {inlined, NULL, NULL, 3}, g = {pointed, NULL, NULL, 3};
        nrx_dyn_solve_desc d = NRX_ZERO;
        nrx_dyn_solve_info a, b;
        double y0[3] = {1, 1, 1}, t[4] = {0, 0.77, 1.5, 5}, y[12], z[12];
        size_t i;
        d.rtol = d.atol = 1e-10;
        if (k == 1) d.atols = many;
        if (k == 2) for (i = 0; i < 4; i++) t[i] = -0.1 * t[i];
        if (k == 3) d.max_steps = 100;
        CHECK(nrx_dyn_solve(&f, y0, 4, t, y, &d, &a) == NRX_OK && from_pointer == 0);
        CHECK(nrx_dyn_solve(&g, y0, 4, t, z, &d, &b) == NRX_OK && from_pointer == 1);
        CHECK(a.rows == b.rows && a.evaluations > 100 && a.stop == b.stop);
        CHECK_NEAR((double)a.evaluations, (double)b.evaluations, 12); /* the compiler may fuse what it inlines */
        for (i = 0; i < 3 * a.rows; i++) CHECK_NEAR(y[i], z[i], 1e-9);
    }
}

int main(void)
{
    inlined_field();
    singular();
    eigen();
    transforms();
    return nrx_test_end();
}
