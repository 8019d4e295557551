/* SPDX-License-Identifier: MIT-0 OR Unlicense
   run: alloc fp arch
   Dense linear algebra: residuals and orthogonality at a small multiple of eps on well and badly behaved matrices, errors. */
#include "../nrx_test.h"
static long test_fail_at = -1, test_live; /* the public functions allocate by macro: count them, fail on demand */
static void *test_malloc(size_t n)
{
    if (test_fail_at == 0) return NULL;
    if (test_fail_at > 0) test_fail_at--;
    test_live++;
    return malloc(n);
}
static void test_free(void *p) { if (p) test_live--; free(p); }
static char test_log[400];
#define NRX_MALLOC(n) test_malloc(n)
#define NRX_REALLOC(p, n) realloc(p, n)
#define NRX_FREE(p) test_free(p)
#define NRX_LOG(line) ((void)snprintf(test_log, sizeof test_log, "%s", line))
#define NRX_TENSOR_IMPLEMENTATION
#include "nrx_tensor.h"

#define EPS 2.220446049250313e-16
enum { KINDS = 14 };
static const char *const kind_name[KINDS] = { "random", "rank 2", "rows 1e+-150", "columns 1e+-150", "1e150", "1e-150", "zero", "identity",
    "Hilbert", "equal columns", "Kahan", "one entry", "upper ones", "nearly equal rows" };

static double *make(int kind, size_t m, size_t n)
{
    nrx_test_rng r = { 1234567 + 31u * (unsigned)kind };
    double *a = (double *)malloc((m * n + 1) * sizeof *a), u, v;
    size_t i, j;
    for (i = 0; i < m; i++)
        for (j = 0; j < n; j++) {
            double x = nrx_test_signed(&r);
            u = m > 1 ? (double)i / (double)(m - 1) : 0.0;
            v = n > 1 ? (double)j / (double)(n - 1) : 0.0;
            switch (kind) {
            case 1: x = sin(3.0 * u + 1.0) * cos(5.0 * v) + (u - 0.3) * (v * v + 1.0); break;
            case 2: x *= pow(10.0, 300.0 * u - 150.0); break;
            case 3: x *= pow(10.0, 150.0 - 300.0 * v); break;
            case 4: x *= 1e150; break;
            case 5: x *= 1e-150; break;
            case 6: x = 0.0; break;
            case 7: x = i == j; break;
            case 8: x = 1.0 / (double)(i + j + 1); break;
            case 9: x = sin((double)i + 0.5); break;
            case 10: x = pow(0.8, (double)i) * (i == j ? 1.0 : j > i ? -0.6 : 0.0); break;
            case 11: x = i == m / 2 && j == n / 3 ? 3.0 : 0.0; break;
            case 12: x = j == i || j == i + 1 ? (i % 3 ? 1.0 : 0.0) : 0.0; break;
            case 13: x = cos((double)j) + 1e-9 * x; break;
            default: break;
            }
            a[i * n + j] = x;
        }
    return a;
}

static double *room(size_t n) { return (double *)calloc(n + 8, sizeof(double)); }

/* Largest entry, and Frobenius norm relative to a scale. */
static double largest(size_t n, const double *a)
{
    double v = 0;
    size_t i;
    for (i = 0; i < n; i++) if (fabs(a[i]) > v) v = fabs(a[i]);
    return v;
}
static double frobenius(size_t n, const double *a, double scale)
{
    double s = 0, c = 0; /* compensated */
    size_t i;
    if (scale == 0) return 0;
    for (i = 0; i < n; i++) {
        double y = a[i] / scale * (a[i] / scale) - c, t = s + y;
        c = (t - s) - y;
        s = t;
    }
    return sqrt(s);
}

/* ||A - X diag(d) Y||_F / ||A||_F with X m x k, Y k x n, d NULL = ones. A zero A must be met exactly. */
static double residual(size_t m, size_t n, size_t k, const double *a, const double *x, const double *d, const double *y)
{
    double *e = room(m * n), scale = largest(m * n, a), result;
    size_t i, j, l;
    for (i = 0; i < m; i++)
        for (j = 0; j < n; j++) {
            double s = a[i * n + j];
            for (l = 0; l < k; l++) s -= x[i * k + l] * (d ? d[l] : 1.0) * y[l * n + j];
            e[i * n + j] = s;
        }
    result = scale > 0 ? frobenius(m * n, e, scale) / frobenius(m * n, a, scale) : largest(m * n, e);
    free(e);
    return result;
}

/* Largest entry of Q^T Q - I for the m x k matrix q, or of Q Q^T - I for rows. */
static double orthogonality(size_t m, size_t k, const double *q, int rows)
{
    double worst = 0;
    size_t i, j, l;
    for (i = 0; i < k; i++)
        for (j = 0; j <= i; j++) {
            double s = i == j ? -1.0 : 0.0;
            for (l = 0; l < m; l++) s += rows ? q[i * m + l] * q[j * m + l] : q[l * k + i] * q[l * k + j];
            if (!(fabs(s) <= worst)) worst = fabs(s);
        }
    return worst;
}

static void expect(double value, double bound, const char *what, int kind, size_t m, size_t n)
{
    char text[200];
    sprintf(text, "%s of %s %lux%lu: %.3g eps, allowed %.3g", what, kind_name[kind], (unsigned long)m, (unsigned long)n, value / EPS, bound / EPS);
    nrx_test_report(value <= bound, __FILE__, __LINE__, text);
}

static void check_qr(int kind, size_t m, size_t n)
{
    size_t k = m < n ? m : n, i, j, *perm = (size_t *)calloc(n + 1, sizeof *perm), seen = 0;
    double *a = make(kind, m, n), *q = room(m * k), *r = room(k * n), *p = room(m * n);
    const double tol = 4 * EPS * sqrt((double)(k + 4)), otol = EPS * (10.0 + (double)k / 4);
    CHECK(nrx_qr_f64(m, n, a, n, q, k, r, n) == NRX_OK);
    expect(residual(m, n, k, a, q, NULL, r), tol, "QR residual", kind, m, n);
    expect(orthogonality(m, k, q, 0), otol, "QR orthogonality", kind, m, n);
    for (i = 0; i < k; i++) for (j = 0; j < i; j++) CHECK(r[i * n + j] == 0);
    for (j = 0; j < n; j++) { /* every column by its own norm: columns may differ by 1e300 */
        double *col = room(m), *rest = room(m), big;
        size_t l;
        for (i = 0; i < m; i++) {
            col[i] = rest[i] = a[i * n + j];
            for (l = 0; l < k; l++) rest[i] -= q[i * k + l] * r[l * n + j];
        }
        big = largest(m, col);
        if (kind != 2 && big > 0) expect(frobenius(m, rest, big) / frobenius(m, col, big), 2 * tol, "QR column residual", kind, m, n);
        free(col); free(rest);
    }
    CHECK(nrx_qr_pivot_f64(m, n, a, n, q, k, r, n, perm) == NRX_OK);
    for (i = 0; i < m; i++) for (j = 0; j < n; j++) p[i * n + j] = a[i * n + perm[j]];
    expect(residual(m, n, k, p, q, NULL, r), tol, "pivoted QR residual", kind, m, n);
    expect(orthogonality(m, k, q, 0), otol, "pivoted QR orthogonality", kind, m, n);
    for (j = 0; j < n; j++) seen += perm[j] + 1;
    CHECK(seen == n * (n + 1) / 2);
    for (i = 1; i < k; i++) CHECK(fabs(r[i * n + i]) <= fabs(r[(i - 1) * n + i - 1]) * (1 + 1e-7));
    if (kind == 1 && k > 2) CHECK(fabs(r[2 * n + 2]) < 1e-13 * fabs(r[0]));
    free(a); free(q); free(r); free(p); free(perm);
}

static void check_svd(int kind, size_t m, size_t n)
{
    size_t k = m < n ? m : n, i;
    double *a = make(kind, m, n), *u = room(m * k), *vt = room(k * n), *s = room(k), *s2 = room(k), sum = 0, big = largest(m * n, a);
    CHECK(nrx_svd_f64(m, n, a, n, s, u, k, vt, n) == NRX_OK);
    expect(residual(m, n, k, a, u, s, vt), 4 * EPS * sqrt((double)(k + 6)), "SVD residual", kind, m, n);
    expect(orthogonality(m, k, u, 0), EPS * (12.0 + (double)k / 3), "SVD left orthogonality", kind, m, n);
    expect(orthogonality(n, k, vt, 1), EPS * (12.0 + (double)k / 3), "SVD right orthogonality", kind, m, n);
    for (i = 0; i < k; i++) CHECK(s[i] >= 0 && (i == 0 || s[i] <= s[i - 1]));
    CHECK(nrx_svd_f64(m, n, a, n, s2, NULL, 0, NULL, 0) == NRX_OK);
    for (i = 0; i < k; i++) CHECK_NEAR(s2[i], s[i], 8 * EPS * s[0]);
    for (i = 0; big > 0 && i < k; i++) sum += s[i] / big * (s[i] / big);
    if (big > 0) CHECK_REL(sqrt(sum), frobenius(m * n, a, big), 40 * EPS);
    if (kind == 1 && k > 2) CHECK(s[2] < 1e-14 * s[0]);
    free(a); free(u); free(vt); free(s); free(s2);
}

static void check_eigh(int kind, size_t n)
{
    double *b = make(kind, n, n), *a = room(n * n), *low = room(n * n), *w = room(n), *v = room(n * n), *vt = room(n * n);
    size_t i, j;
    for (i = 0; i < n; i++)
        for (j = 0; j < n; j++) {
            a[i * n + j] = b[i * n + j] + b[j * n + i];
            low[i * n + j] = j > i ? NAN : a[i * n + j]; /* the upper triangle is not read */
        }
    CHECK(nrx_eigh_f64(n, low, n, w, v, n) == NRX_OK);
    for (i = 0; i < n; i++) for (j = 0; j < n; j++) vt[j * n + i] = v[i * n + j];
    expect(residual(n, n, n, a, v, w, vt), 4 * EPS * sqrt((double)(n + 6)), "symmetric eigenproblem residual", kind, n, n);
    expect(orthogonality(n, n, v, 0), EPS * (12.0 + (double)n / 3), "eigenvector orthogonality", kind, n, n);
    for (i = 1; i < n; i++) CHECK(w[i] >= w[i - 1]);
    free(a); free(b); free(low); free(w); free(v); free(vt);
}

static void check_eig(int kind, size_t n)
{
    double *a = make(kind, n, n), *w = room(2 * n), *w2 = room(2 * n), *v = room(2 * n * n), worst = 0, big = largest(n * n, a), norm, trace = 0;
    size_t i, j, k;
    int h;
    nrx_test_report(nrx_eig_f64(n, a, n, w, v, n) == NRX_OK, __FILE__, __LINE__, kind_name[kind]);
    CHECK(nrx_eig_f64(n, a, n, w2, NULL, 0) == NRX_OK);
    CHECK(memcmp(w, w2, 2 * n * sizeof *w) == 0);
    norm = big > 0 ? frobenius(n * n, a, big) : 1;
    for (k = 0; k < n; k++) {
        double size = 0;
        for (i = 0; i < n; i++)
            for (h = 0; h < 2; h++) {
                double s = w[2 * k] * v[2 * (i * n + k) + (size_t)h] + (h ? 1.0 : -1.0) * w[2 * k + 1] * v[2 * (i * n + k) + (size_t)!h];
                for (j = 0; j < n; j++) s -= a[i * n + j] * v[2 * (j * n + k) + (size_t)h];
                if (big > 0) worst = fmax(worst, fabs(s / big) / norm);
                size += v[2 * (i * n + k) + (size_t)h] * v[2 * (i * n + k) + (size_t)h];
            }
        CHECK_NEAR(size, 1.0, 1e-14);
        if (w[2 * k + 1] > 0) CHECK(k + 1 < n && w[2 * k + 2] == w[2 * k] && w[2 * k + 3] == -w[2 * k + 1]);
        trace += (w[2 * k] - a[k * n + k]) / (big > 0 ? big : 1);
    }
    expect(worst, EPS * (10.0 + (double)n / 2), "eigenpair residual", kind, n, n);
    expect(fabs(trace), EPS * norm * (10.0 + (double)n), "trace", kind, n, n);
    free(a); free(w); free(w2); free(v);
}

static void check_solve(int kind, size_t n, size_t nrhs)
{
    double *a = make(kind, n, n), *b = make(0, n, nrhs), *x = room(n * nrhs), *lu = room(n * n), *l = room(n * n), *u = room(n * n), *pa = room(n * n);
    size_t i, j, *piv = (size_t *)calloc(n + 1, sizeof *piv);
    nrx_status status = nrx_lu_f64(n, a, n, lu, n, piv);
    if (status == NRX_OK) {
        memcpy(pa, a, n * n * sizeof *a);
        for (i = 0; i < n; i++)
            for (j = 0; j < n; j++) {
                double t = pa[i * n + j];
                pa[i * n + j] = pa[piv[i] * n + j];
                pa[piv[i] * n + j] = t;
                l[i * n + j] = j < i ? lu[i * n + j] : j == i;
                u[i * n + j] = j < i ? 0 : lu[i * n + j];
                CHECK(j >= i || fabs(lu[i * n + j]) <= 1);
            }
        expect(residual(n, n, n, pa, l, NULL, u), 4 * EPS * sqrt((double)(n + 4)), "LU residual", kind, n, n);
    } else CHECK(status == NRX_E_NUMERIC && kind != 0);
    if (kind == 6 && n > 0) CHECK(status == NRX_E_NUMERIC);
    if (kind == 0 || kind == 4 || kind == 5 || kind == 10) { /* backward error of each solution */
        CHECK(nrx_solve_f64(n, a, n, b, nrhs, x) == NRX_OK);
        for (j = 0; j < nrhs; j++) {
            double worst = 0, size = 0, na = largest(n * n, a) * (double)n;
            size_t k;
            for (i = 0; i < n; i++) size = fmax(size, fabs(x[i * nrhs + j]));
            for (i = 0; i < n; i++) {
                double s = b[i * nrhs + j];
                for (k = 0; k < n; k++) s -= a[i * n + k] * x[k * nrhs + j];
                worst = fmax(worst, fabs(s) / (na * size + 1.0));
            }
            expect(worst, 4 * EPS, "backward error of the solution", kind, n, n);
        }
    }
    free(a); free(b); free(x); free(lu); free(l); free(u); free(pa); free(piv);
}

static void check_cholesky(size_t n, size_t nrhs)
{
    double *g = make(0, n, n), *a = room(n * n), *l = room(n * n), *lt = room(n * n), *b = make(0, n, nrhs), *x = room(n * nrhs);
    size_t i, j, k;
    for (i = 0; i < n; i++)
        for (j = 0; j < n; j++)
            for (a[i * n + j] = i == j ? 0.1 : 0, k = 0; k < n; k++) a[i * n + j] += g[i * n + k] * g[j * n + k];
    CHECK(nrx_cholesky_f64(n, a, n, l, n) == NRX_OK);
    for (i = 0; i < n; i++) for (j = 0; j < n; j++) lt[j * n + i] = l[i * n + j];
    expect(residual(n, n, n, a, l, NULL, lt), EPS * sqrt((double)(n + 8)), "Cholesky residual", 0, n, n);
    CHECK(nrx_trsolve_f64(0, 0, 0, n, l, n, b, nrhs, x) == NRX_OK);
    CHECK(nrx_trsolve_f64(1, 0, 0, n, lt, n, x, nrhs, x) == NRX_OK); /* upper */
    CHECK(nrx_trsolve_f64(0, 0, 0, n, l, n, b, nrhs, g) == NRX_OK || nrhs > n);
    if (nrhs <= n) {
        CHECK(nrx_trsolve_f64(0, 1, 0, n, l, n, g, nrhs, g) == NRX_OK); /* transposed lower: the same solution */
        for (i = 0; i < n * nrhs; i++) CHECK_NEAR(g[i], x[i], 1e-9 * largest(n * nrhs, x));
        CHECK(nrx_trsolve_f64(1, 1, 0, n, lt, n, b, nrhs, g) == NRX_OK);
        CHECK(nrx_trsolve_f64(0, 0, 0, n, l, n, b, nrhs, lt) == NRX_OK);
        for (i = 0; i < n * nrhs; i++) CHECK_NEAR(g[i], lt[i], 1e-9 * largest(n * nrhs, g));
    }
    for (j = 0; j < nrhs; j++)
        for (i = 0; i < n; i++) {
            double s = b[i * nrhs + j];
            for (k = 0; k < n; k++) s -= a[i * n + k] * x[k * nrhs + j];
            CHECK(fabs(s) <= 20 * EPS * (double)n * largest(n * n, a) * largest(n * nrhs, x));
        }
    if (n > 1) {
        a[n * n - 1] = -1.0;
        CHECK(nrx_cholesky_f64(n, a, n, l, n) == NRX_E_NUMERIC);
        CHECK(strstr(test_log, "nrx_cholesky_f64") && strstr(test_log, "positive definite"));
    }
    free(g); free(a); free(l); free(lt); free(b); free(x);
}

/* Least squares: the residual is orthogonal to the columns, and x is the pseudo-inverse's (from the SVD). */
static void check_lstsq(int kind, size_t m, size_t n, size_t nrhs)
{
    size_t k = m < n ? m : n, i, j, l, rank = 99, r = 0;
    double *a = make(kind, m, n), *b = make(0, m, nrhs), *x = room((m > n ? m : n) * nrhs), *u = room(m * k), *vt = room(k * n), *s = room(k), worst = 0, size = 0;
    double scale;
    CHECK(nrx_lstsq_f64(m, n, a, n, b, nrhs, -1.0, x, &rank) == NRX_OK);
    CHECK(nrx_svd_f64(m, n, a, n, s, u, k, vt, n) == NRX_OK);
    while (r < k && s[r] > 1e-11 * s[0]) r++;
    if (kind != 2 && kind != 3 && kind != 8 && kind != 10 && kind != 13) nrx_test_report(rank == r, __FILE__, __LINE__, kind_name[kind]);
    for (j = 0; rank == r && j < nrhs; j++) {
        double *y = room(n);
        for (l = 0; l < r; l++) {
            double t = 0;
            for (i = 0; i < m; i++) t += u[i * k + l] * b[i * nrhs + j];
            for (i = 0; i < n; i++) y[i] += vt[l * n + i] * t / s[l];
        }
        for (i = 0; i < n; i++) {
            worst = fmax(worst, fabs(y[i] - x[i * nrhs + j]));
            size = fmax(size, fabs(y[i]));
        }
        free(y);
    }
    scale = r ? s[0] / s[r - 1] : 1;
    if (kind != 8 && kind != 10) expect(size > 0 ? worst / size : worst, 60 * EPS * scale * scale + 1e-300, "least squares", kind, m, n);
    free(a); free(b); free(x); free(u); free(vt); free(s);
}

static void hostile(void)
{
    double a[16], big[16], out[64], s[16] = { 0 };
    size_t piv[8], i, rank;
    int bad;
    for (bad = 0; bad < 3; bad++) {
        for (i = 0; i < 16; i++) a[i] = 1.0 / (double)(1 + (i * 7) % 16);
        a[5] = bad == 0 ? NAN : bad == 1 ? INFINITY : -INFINITY;
        CHECK_ALWAYS(nrx_qr_f64(4, 4, a, 4, out, 4, big, 4) == NRX_E_NUMERIC);
        CHECK_ALWAYS(nrx_qr_pivot_f64(4, 4, a, 4, out, 4, big, 4, piv) == NRX_E_NUMERIC);
        CHECK_ALWAYS(nrx_svd_f64(4, 4, a, 4, s, out, 4, big, 4) == NRX_E_NUMERIC);
        CHECK_ALWAYS(nrx_eigh_f64(4, a, 4, s, out, 4) == NRX_E_NUMERIC);
        CHECK_ALWAYS(nrx_eig_f64(4, a, 4, s, out, 4) == NRX_E_NUMERIC);
        CHECK_ALWAYS(nrx_lu_f64(4, a, 4, out, 4, piv) == NRX_E_NUMERIC);
        CHECK_ALWAYS(nrx_cholesky_f64(4, a, 4, out, 4) == NRX_E_NUMERIC);
        CHECK_ALWAYS(nrx_solve_f64(4, a, 4, s, 1, out) == NRX_E_NUMERIC);
        CHECK_ALWAYS(nrx_lstsq_f64(4, 4, a, 4, s, 1, -1.0, out, &rank) == NRX_E_NUMERIC);
        CHECK(strstr(test_log, "nrx_lstsq_f64") != NULL);
    }
    CHECK(nrx_qr_f64(4, 4, NULL, 4, out, 4, big, 4) == NRX_E_ARG && strstr(test_log, "a is NULL"));
    CHECK(nrx_qr_f64(4, 4, a, 3, out, 4, big, 4) == NRX_E_ARG && strstr(test_log, "leading dimension 3 of a is less than its 4 columns"));
    CHECK(nrx_svd_f64(4, 4, a, 4, s, out, 4, NULL, 4) == NRX_E_ARG && strstr(test_log, "vt is NULL"));
    CHECK(nrx_eigh_f64((size_t)-1 / 4, a, (size_t)-1 / 4, s, NULL, 0) == NRX_E_RANGE);
    CHECK(nrx_svd_f64(1, (size_t)-1 / 32, a, (size_t)-1 / 32, s, NULL, 0, NULL, 0) != NRX_OK);
    CHECK(nrxi_svd_work((size_t)-1 / 2, 3) == (size_t)-1 && nrxi_eigh_work((size_t)1 << (sizeof(size_t) * 4)) == (size_t)-1);
    CHECK(nrxi_lstsq_work((size_t)-1, 2, 1) == (size_t)-1 && nrxi_qr_work((size_t)-1, 2) == (size_t)-1 && nrxi_eig_work((size_t)-1 / 3) == (size_t)-1);
}

/* The f32 functions are the f64 ones on converted data; leading dimensions leave the gaps alone. */
static void single(void)
{
    enum { M = 7, N = 5, LD = 9 };
    float a[M * LD], q[M * LD], r[N * LD], s[N], u[M * LD], vt[N * LD], x[M], b[M], w[2 * N], v[2 * N * LD], l[N * LD];
    double ad[M * N], qd[M * N], rd[N * N], sd[N], ud[M * N], vd[N * N];
    size_t i, j, perm[N], rank;
    nrx_test_rng g = { 3 };
    for (i = 0; i < M * LD; i++) { a[i] = (float)nrx_test_signed(&g); q[i] = u[i] = -7.0f; }
    for (i = 0; i < M; i++) { b[i] = (float)i; for (j = 0; j < N; j++) ad[i * N + j] = a[i * LD + j]; }
    CHECK(nrx_qr_f32(M, N, a, LD, q, LD, r, LD) == NRX_OK && nrx_qr_f64(M, N, ad, N, qd, N, rd, N) == NRX_OK);
    CHECK(nrx_svd_f32(M, N, a, LD, s, u, LD, vt, LD) == NRX_OK && nrx_svd_f64(M, N, ad, N, sd, ud, N, vd, N) == NRX_OK);
    for (i = 0; i < M; i++)
        for (j = 0; j < LD; j++) {
            CHECK(q[i * LD + j] == (j < N ? (float)qd[i * N + j] : -7.0f));
            CHECK(u[i * LD + j] == (j < N ? (float)ud[i * N + j] : -7.0f));
        }
    for (i = 0; i < N; i++) CHECK(s[i] == (float)sd[i]);
    CHECK(nrx_qr_pivot_f32(M, N, a, LD, q, LD, r, LD, perm) == NRX_OK);
    CHECK(nrx_lstsq_f32(M, N, a, LD, b, 1, -1.0f, x, &rank) == NRX_OK && rank == N);
    for (j = 0; j < N; j++) { /* normal equations */
        double t = 0;
        for (i = 0; i < M; i++) {
            double e = b[i];
            size_t k;
            for (k = 0; k < N; k++) e -= (double)a[i * LD + k] * x[k];
            t += e * a[i * LD + j];
        }
        CHECK_NEAR(t, 0, 2e-5);
    }
    CHECK(nrx_solve_f32(N, a, LD, b, 1, x) == NRX_OK);
    for (i = 0; i < N; i++) {
        double e = b[i];
        for (j = 0; j < N; j++) e -= (double)a[i * LD + j] * x[j];
        CHECK_NEAR(e, 0, 1e-5);
    }
    CHECK(nrx_eig_f32(N, a, LD, w, v, LD) == NRX_OK);
    CHECK(nrx_eigh_f32(N, a, LD, w, NULL, 0) == NRX_OK && w[0] <= w[N - 1]);
    for (i = 0; i < N; i++) a[i * LD + i] = 5.0f;
    CHECK(nrx_cholesky_f32(N, a, LD, l, LD) == NRX_OK && nrx_lu_f32(N, a, LD, l, LD, perm) == NRX_OK);
    CHECK(nrx_trsolve_f32(0, 0, 1, N, a, LD, b, 1, x) == NRX_OK && x[0] == b[0]);
}

static void allocations(void)
{
    double *a = make(0, 9, 6), out[4][128];
    size_t piv[16];
    int which;
    for (which = 0; which < 9; which++) {
        nrx_status status = NRX_OK;
        test_fail_at = 0;
        switch (which) {
        case 0: status = nrx_qr_f64(9, 6, a, 6, out[0], 6, out[1], 6); break;
        case 1: status = nrx_svd_f64(9, 6, a, 6, out[0], out[1], 6, out[2], 6); break;
        case 2: status = nrx_eigh_f64(6, a, 6, out[0], out[1], 6); break;
        case 3: status = nrx_eig_f64(6, a, 6, out[0], out[1], 6); break;
        case 4: status = nrx_lu_f64(6, a, 6, out[0], 6, piv); break;
        case 5: status = nrx_solve_f64(6, a, 6, a, 6, out[0]); break;
        case 6: status = nrx_cholesky_f64(6, a, 6, out[0], 6); break;
        case 7: status = nrx_lstsq_f64(9, 6, a, 6, a, 6, -1.0, out[0], NULL); break;
        default: status = nrx_trsolve_f64(0, 0, 0, 6, a, 6, a, 6, out[0]); break;
        }
        CHECK_ALWAYS(status == NRX_E_NOMEM);
    }
    test_fail_at = -1;
    CHECK_ALWAYS(test_live == 0);
    free(a);
}

int main(void)
{
    static const size_t shape[][2] = { /* m, n */
         { 1, 1 }, { 2, 2 }, { 3, 3 }, { 1, 9 }, { 9, 1 }, { 5, 3 }, { 3, 5 }, { 17, 17 }, { 40, 12 }, { 12, 40 },
        { 33, 32 }, { 64, 64 }, { 70, 37 }, { 37, 70 }, { 100, 100 }, { 130, 33 }, { 0, 0 }, { 0, 3 }, { 3, 0 } };
    size_t i = 0;
    int kind = 0;
    (void)shape; (void)i; (void)kind;
#if !defined(NRX_TEST_ALLOC) && !defined(NRX_TEST_FAST_MATH)
    for (i = 0; i < sizeof shape / sizeof *shape; i++)
        for (kind = 0; kind < KINDS; kind++) {
            size_t m = shape[i][0], n = shape[i][1];
            check_qr(kind, m, n);
            check_svd(kind, m, n);
            check_lstsq(kind, m, n, 1 + i % 3);
            if (m != n) continue;
            check_eigh(kind, n);
            check_eig(kind, n);
            check_solve(kind, n, 1 + i % 3);
            if (kind == 0) check_cholesky(n, 1 + i % 2);
        }
    single();
#endif
    hostile();
    allocations();
    return nrx_test_end();
}
