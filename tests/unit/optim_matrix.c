/* Matrix functions: QDWH polar, Newton-Schulz and its relatives, Freon and its coefficients, Kaon, thresholding, on matrices whose
   singular vectors are known by construction.
   SPDX-License-Identifier: MIT-0 OR Unlicense
   run: alloc */
#include "nrx_test.h"
#define NRX_OPTIM_IMPLEMENTATION
#include "nrx_optim.h"
#include "nrx_test.h"

/* T(m, n, kappa): U, V leading columns of I - 2 u u^T / u^T u with u_i = i and v_j = +-j; sigma_i = kappa^(-i/(k-1)). */
static double refl_u(size_t m, size_t i, size_t j)
{
    double d = (double)m * (double)(m + 1) * (double)(2 * m + 1) / 6;
    return (i == j) - 2.0 * (double)(i + 1) * (double)(j + 1) / d;
}
static double refl_v(size_t n, size_t i, size_t j) { return (i + j) % 2 ? 2 * (double)(i == j) - refl_u(n, i, j) : refl_u(n, i, j); }
static double sigma(size_t k, double kappa, size_t i) { return k > 1 ? pow(kappa, -(double)i / (double)(k - 1)) : 1; }
/* U diag(sigma^power) V^T in f64 */
static void known(size_t m, size_t n, double kappa, double power, double *a)
{
    size_t k = m < n ? m : n, i, j, r;
    static double s[512], vu[512], su[512];
    double du = (double)m * (double)(m + 1) * (double)(2 * m + 1) / 6, dv = (double)n * (double)(n + 1) * (double)(2 * n + 1) / 6, mid = 0;
    /* (I - 2 u u^T/du) S (I - 2 v v^T/dv) = S - 2/du u (u^T S) - 2/dv (S v) v^T + 4/(du dv) (u^T S v) u v^T */
    for (r = 0; r < k; r++) {
        s[r] = pow(sigma(k, kappa, r), power);
        su[r] = s[r] * (double)(r + 1);                      /* u^T S */
        vu[r] = s[r] * (double)(r + 1) * (r % 2 ? -1 : 1);   /* S v */
        mid += su[r] * (double)(r + 1) * (r % 2 ? -1 : 1);
    }
    for (i = 0; i < m; i++)
        for (j = 0; j < n; j++) {
            double u = (double)(i + 1), v = (double)(j + 1) * (j % 2 ? -1 : 1);
            a[i * n + j] = (double)((i == j && i < k ? (long double)s[i] : 0.0L) - (j < k ? 2.0L / du * u * su[j] : 0.0L)
                                    - (i < k ? 2.0L / dv * vu[i] * v : 0.0L) + 4.0L / du / dv * mid * u * v);
        }
}
static double rel(size_t n, const double *a, const double *b)
{
    double s = 0, t = 0;
    size_t i;
    for (i = 0; i < n; i++) { s += (a[i] - b[i]) * (a[i] - b[i]); t += b[i] * b[i]; }
    return sqrt(s / t);
}
/* |U^T U - I|_2 in long double: power method on the defect (symmetric). */
static double defect2(size_t m, size_t n, const double *u)
{
    double *e = (double *)malloc(n * n * sizeof *e), *x = (double *)malloc(2 * n * sizeof *x), *y = x + n, norm = 0, s;
    size_t i, j, r;
    int it;
    for (i = 0; i < n; i++)
        for (j = 0; j <= i; j++) {
            long double t = i == j ? -1.0L : 0.0L;
            for (r = 0; r < m; r++) t += (long double)u[r * n + i] * u[r * n + j];
            e[i * n + j] = e[j * n + i] = (double)t;
        }
    for (i = 0; i < n; i++) x[i] = 1 + 0.3 * sin((double)i);
    for (it = 0; it < 60; it++) {
        for (i = 0, s = 0; i < n; i++) { for (j = 0, y[i] = 0; j < n; j++) y[i] += e[i * n + j] * x[j]; s += y[i] * y[i]; }
        norm = sqrt(s);
        if (norm == 0) break;
        for (i = 0; i < n; i++) x[i] = y[i] / norm;
    }
    free(e);
    free(x);
    return norm;
}

static double t64[512 * 512], want[512 * 512], got[512 * 512], hh[64 * 64];

static void construction(void)
{
    known(6, 4, 100, 1, t64);
    CHECK_NEAR(t64[0], 0.911935485888663, 1e-14);
    CHECK_NEAR(t64[1], 0.122702941673084, 1e-14);
    CHECK_NEAR(t64[20], -0.128387084668023, 1e-14);
    known(6, 4, 100, 0, t64);
    CHECK_NEAR(t64[0], 0.896703296703297, 1e-14);
    CHECK_NEAR(t64[7], -0.591941391941392, 1e-14);
}

/* Products of which only a triangle is wanted, or with triangular factors, against sums in long double: all entries of small ones, some
   of those large enough for panels in the workspace. What is not wanted may hold anything, but not outside C. */
static void parts_of(size_t m, size_t n, size_t k, int part, int ta, int tb, double beta, nrx_rng *r)
{
    size_t work = nrxi_gemm_work_f64(m, n, k), i, j, p, lda = (ta ? m : k) + 3, ldb = (tb ? k : n) + 2, ldc = n + 1, all = m * n;
    double *a = (double *)calloc(m * k + 3 * (m + k), sizeof *a), *b = (double *)calloc(n * k + 2 * (n + k), sizeof *b);
    double *c = (double *)malloc(m * ldc * sizeof *c), *old = (double *)malloc(m * ldc * sizeof *c), *w = (double *)malloc((work + 1) * sizeof *w);
    for (i = 0; i < m; i++)
        for (p = 0; p < k; p++)
            if (!((part & NRXI_GEMM_A_LOWER) && p > i) && !((part & NRXI_GEMM_A_UPPER) && p < i)) a[ta ? p * lda + i : i * lda + p] = nrx_rng_normal(r);
    for (p = 0; p < k; p++)
        for (j = 0; j < n; j++)
            if (!((part & NRXI_GEMM_B_LOWER) && j > p) && !((part & NRXI_GEMM_B_UPPER) && j < p)) b[tb ? j * ldb + p : p * ldb + j] = nrx_rng_normal(r);
    for (i = 0; i < m * ldc; i++) c[i] = old[i] = beta == 0 ? nan("") : nrx_rng_normal(r);
    nrxi_gemm_part_f64(part, ta, tb, m, n, k, 0.7, a, lda, b, ldb, beta, c, ldc, work ? w : NULL, NULL);
    for (p = 0; p < (all > 2000 ? 400 : all); p++) {
        long double s = 0, size = 1e-30L, t;
        size_t q;
        i = all > 2000 ? nrx_rng_below(r, (uint32_t)m) : p / n;
        j = all > 2000 ? nrx_rng_below(r, (uint32_t)n) : p % n;
        if ((part & NRXI_GEMM_LOWER) && j > i) continue;
        for (q = 0; q < k; q++) {
            t = 0.7L * a[ta ? q * lda + i : i * lda + q] * b[tb ? j * ldb + q : q * ldb + j];
            s += t;
            size += fabsl(t);
        }
        if (beta != 0) { s += (long double)beta * old[i * ldc + j]; size += fabsl((long double)beta * old[i * ldc + j]); }
        CHECK(fabsl(c[i * ldc + j] - s) <= (double)(k + 4) * 1.2e-16L * size);
    }
    for (i = 0; i < m; i++) CHECK(memcmp(c + i * ldc + n, old + i * ldc + n, sizeof *c) == 0);
    free(a); free(b); free(c); free(old); free(w);
}
static void parts(void)
{
    static const int kinds[] = {NRXI_GEMM_LOWER, NRXI_GEMM_A_LOWER, NRXI_GEMM_A_UPPER, NRXI_GEMM_B_LOWER, NRXI_GEMM_B_UPPER, NRXI_GEMM_LOWER | NRXI_GEMM_A_LOWER,
                                NRXI_GEMM_LOWER | NRXI_GEMM_A_LOWER | NRXI_GEMM_B_LOWER, NRXI_GEMM_LOWER | NRXI_GEMM_A_LOWER | NRXI_GEMM_B_UPPER,
                                NRXI_GEMM_LOWER | NRXI_GEMM_A_UPPER | NRXI_GEMM_B_LOWER, NRXI_GEMM_A_UPPER | NRXI_GEMM_B_LOWER, NRXI_GEMM_A_LOWER | NRXI_GEMM_B_LOWER};
    static const size_t shape[][3] = {{1, 1, 1}, {7, 5, 9}, {16, 16, 16}, {33, 31, 47}, {40, 70, 20}, {65, 66, 64}, {130, 97, 300}, {200, 210, 2600}};
    nrx_rng r;
    size_t i, s;
    int t;
    nrx_rng_seed(&r, 11, 0);
    for (s = 0; s < sizeof shape / sizeof *shape; s++)
        for (i = 0; i < sizeof kinds / sizeof *kinds; i++)
            for (t = 0; t < (s < 7 ? 4 : 1); t++)
                parts_of(shape[s][0], shape[s][1], shape[s][2], kinds[i], t & 1, t < 2, (i + s + (size_t)t) % 3 == 0 ? 0.0 : -0.3, &r);
    {
        static float a[70 * 90], c[70 * 70];             /* symmetric, f32 and f64, either side */
        static double a64[70 * 90], c64[70 * 70], want64;
        for (i = 0; i < 70 * 90; i++) a64[i] = a[i] = (float)nrx_rng_normal(&r);
        for (t = 0; t < 2; t++) {
            size_t n = t ? 70 : 67, k = t ? 90 : 33, ld = t ? 70 : 33, j, p;
            nrxi_gemm_symmetric_f32(t, n, k, 1.0f, a, ld, 0.0f, c, n, NULL, NULL);
            nrxi_gemm_symmetric_f64(t, n, k, 1.0, a64, ld, 0.0, c64, n, NULL, NULL);
            for (i = 0; i < n; i++)
                for (j = 0; j < n; j++) {
                    for (want64 = 0, p = 0; p < k; p++) want64 += a64[t ? p * ld + i : i * ld + p] * a64[t ? p * ld + j : j * ld + p];
                    CHECK_NEAR(c64[i * n + j], want64, 1e-12);
                    CHECK_NEAR(c[i * n + j], want64, 1e-4);
                    CHECK(c64[i * n + j] == c64[j * n + i] && c[i * n + j] == c[j * n + i]);
                }
        }
    }
}

static void qdwh(void)
{
    static const double table[3][6] = {{1e-4, 1169.608803312376, 341411.6337947959, 342580.2425981082, 0.11656190369043176, 0},
                                       {0.01, 54.32429467613944, 0, 0, 0.50533630003644048, 0}, {0.5, 4.35933989991681, 2.8212911407932704, 6.180631040710081, 0.9949604626398241, 0}};
    static const double seq[6] = {1.169607095285e11, 4890.426105158, 17.09195503747952, 3.404072619469723, 3.000345235225512, 3};
    static const struct { size_t m, n; double kappa, polar; } run[] = {{12, 8, 1e2, 5e-14}, {12, 8, 1e8, 1e-8}, {12, 8, 1e16, 1}, {8, 12, 1e4, 1e-11}, {64, 64, 1e16, 2},
                                                                      {33, 7, 1e12, 1e-3}, {1, 9, 1, 1e-15}, {9, 1, 1, 1e-15}, {200, 128, 1e16, 3}, {512, 512, 1e16, 6}};
    double a, b, c, l;
    size_t i, j, r;
    int t;
    for (t = 0; t < 3; t++) {
        l = table[t][0];
        nrxi_opt_qdwh_coefficients(&l, &a, &b, &c);
        CHECK_REL(a, table[t][1], 1e-13);
        if (table[t][2] > 0) { CHECK_REL(b, table[t][2], 1e-13); CHECK_REL(c, table[t][3], 1e-13); }
        CHECK_REL(l, table[t][4], 1e-13);
    }
    for (l = 1e-16, t = 0; t < 6; t++) {
        nrxi_opt_qdwh_coefficients(&l, &a, &b, &c);
        CHECK_REL(a, seq[t], 1e-9);
    }
    for (i = 0; i < sizeof run / sizeof *run; i++) {
        size_t m = run[i].m, n = run[i].n, k = m < n ? m : n;
        nrx_opt_polar_info info;
        nrx_opt_polar_desc d = NRX_ZERO;
        if (m > 256) d.lower = 1e-16;
        known(m, n, run[i].kappa, 1, t64);
        known(m, n, run[i].kappa, 0, want);
        CHECK_ALWAYS(nrx_opt_polar(NRX_F64, m, n, t64, got, n <= 64 ? hh : NULL, &d, &info) == NRX_OK);
        CHECK(info.iterations <= 6 && info.qr_steps <= 3);
        CHECK(rel(m * n, got, want) < run[i].polar);
        if (m < n) { /* rows: transpose for the defect */
            double *tr = (double *)malloc(m * n * sizeof *tr);
            for (j = 0; j < m; j++) for (r = 0; r < n; r++) tr[r * m + j] = got[j * n + r];
            CHECK(defect2(n, m, tr) < 1e-15);
            free(tr);
        } else CHECK(defect2(m, k, got) < 1e-15);
        if (n <= 64) { /* A = U H, H symmetric positive semidefinite */
            double err = 0, top = 0, x[64], q;
            for (j = 0; j < m; j++)
                for (r = 0; r < n; r++) {
                    double s = 0;
                    size_t e;
                    for (e = 0; e < n; e++) s += got[j * n + e] * hh[e * n + r];
                    err += (s - t64[j * n + r]) * (s - t64[j * n + r]);
                    top += t64[j * n + r] * t64[j * n + r];
                }
            CHECK(sqrt(err / top) < 1e-14);
            for (j = 0; j < n; j++) for (r = 0; r < n; r++) CHECK(hh[j * n + r] == hh[r * n + j]);
            for (t = 0; t < 20; t++) {
                for (j = 0; j < n; j++) x[j] = sin((double)(j * (size_t)(t + 1)) + t);
                for (q = 0, j = 0; j < n; j++) for (r = 0; r < n; r++) q += x[j] * hh[j * n + r] * x[r];
                CHECK(q >= -1e-13);
            }
        }
    }
}

/* The scalar map on diagonal matrices, whose Frobenius norm is divided out by the caller: compare against tabulated values. */
static double scalar_quintic(double x, double a, double b, double c) { return x * (a + x * x * (b + c * x * x)); }
static void newton_schulz(void)
{
    static const double in[6] = {1, 0.5, 0.1, 0.05, 0.01, 0.001}, out[6] = {0.696436409469752, 0.765438530454340, 0.712120081658075,
                                0.758119653657586, 0.698917063321686, 0.470543951215540};
    static const double sv[4] = {0.784425224488983, 0.728298695450568, 0.689882713970204, 0.682090001036033};
    double x[400], lo = 9, hi = 0, n2 = 0, tall[24], wide[24], sub[24];
    float f[24], fo[24];
    nrx_opt_ns_desc d = NRX_ZERO;
    int i, j, s;
    d.eps = -1;
    (void)sv;
    /* 6 values on the diagonal of a 6 x 8 matrix: the map acts on each, after division by the norm */
    memset(x, 0, sizeof x);
    for (i = 0; i < 6; i++) { x[i * 8 + i] = in[i]; n2 += in[i] * in[i]; }
    CHECK_ALWAYS(nrx_opt_newton_schulz(NRX_F64, 6, 8, x, x, &d) == NRX_OK);
    for (i = 0; i < 6; i++) {
        double y = in[i] / sqrt(n2), z = in[i];
        for (s = 0; s < 5; s++) { y = scalar_quintic(y, 3.4445, -4.7750, 2.0315); z = scalar_quintic(z, 3.4445, -4.7750, 2.0315); }
        CHECK_NEAR(x[i * 8 + i], y, 1e-12);
        CHECK_NEAR(z, out[i], 1e-13);
    }
    /* bands: 2000 singular values through the implementation, twenty at a time with one large entry that fixes the norm */
    for (i = 0; i < 100; i++) {
        n2 = 0;
        memset(x, 0, sizeof x);
        for (j = 1; j < 20; j++) { x[j * 20 + j] = 0.2 * pow(0.05, (double)(i * 19 + j) / 1900); n2 += x[j * 20 + j] * x[j * 20 + j]; }
        x[0] = sqrt(1 - n2);
        CHECK_ALWAYS(nrx_opt_newton_schulz(NRX_F64, 20, 20, x, x, &d) == NRX_OK);
        for (j = 0; j < 20; j++) { if (x[j * 20 + j] < lo) lo = x[j * 20 + j]; if (x[j * 20 + j] > hi) hi = x[j * 20 + j]; }
    }
    CHECK(lo >= 0.681831 - 1e-6 && hi <= 1.134357 + 1e-6 && lo < 0.683 && hi > 1.13);
    /* the reference matrix, tall and wide, f64 and f32 */
    known(6, 4, 100, 1, tall);
    for (i = 0; i < 6; i++) for (j = 0; j < 4; j++) { wide[j * 6 + i] = tall[i * 4 + j]; f[i * 4 + j] = (float)tall[i * 4 + j]; }
    CHECK_ALWAYS(nrx_opt_newton_schulz(NRX_F64, 6, 4, tall, sub, &d) == NRX_OK);
    CHECK_NEAR(sub[0], 0.654979385873169, 1e-12);
    CHECK_NEAR(sub[1], 0.084643511616927, 1e-12);
    CHECK_NEAR(sub[23], -0.153666215305040, 1e-12);
    CHECK_ALWAYS(nrx_opt_newton_schulz(NRX_F64, 4, 6, wide, wide, &d) == NRX_OK);
    for (i = 0; i < 6; i++) for (j = 0; j < 4; j++) CHECK_NEAR(wide[j * 6 + i], sub[i * 4 + j], 1e-12);
    CHECK_ALWAYS(nrx_opt_newton_schulz(NRX_F32, 6, 4, f, fo, &d) == NRX_OK);
    for (i = 0; i < 24; i++) CHECK_NEAR(fo[i], sub[i], 2e-5);
    /* Polar Express: six steps, sigma >= 1e-3 */
    for (s = 5; s <= 7; s++) {
        lo = 9; hi = 0;
        d.coefficients = NRX_NS_POLAR_EXPRESS;
        d.steps = (size_t)s;
        for (i = 0; i < 40; i++) {
            n2 = 0;
            memset(x, 0, sizeof x);
            for (j = 1; j < 20; j++) { x[j * 20 + j] = 0.2 * pow(0.005, (double)(i * 19 + j) / 760); n2 += x[j * 20 + j] * x[j * 20 + j]; }
            x[0] = sqrt(1 - n2);
            CHECK_ALWAYS(nrx_opt_newton_schulz(NRX_F64, 20, 20, x, x, &d) == NRX_OK);
            for (j = 0; j < 20; j++) { if (x[j * 20 + j] < lo) lo = x[j * 20 + j]; if (x[j * 20 + j] > hi) hi = x[j * 20 + j]; }
        }
        if (s == 5) CHECK(lo >= 0.840145 - 0.03 && hi <= 1.123559 + 1e-3);
        if (s == 6) CHECK(lo >= 0.993479 - 2e-3 && hi <= 1.001185 + 1e-3);
        if (s == 7) CHECK(lo >= 1 - 1e-4 && hi <= 1 + 1e-4);
    }
    /* the cubic goes to the polar factor */
    d.coefficients = NRX_NS_CUBIC;
    d.steps = 30;
    known(6, 4, 100, 0, sub);
    CHECK_ALWAYS(nrx_opt_newton_schulz(NRX_F64, 6, 4, tall, tall, &d) == NRX_OK);
    CHECK(rel(24, tall, sub) < 1e-13);
}

static void coefficients(void)
{
    static const double b4[12] = {5.062532443224e1, 7.114899411820e5, 7.115395665065e5, 5.006315168184, 8.533384791411e1, 8.934016308229e1,
                                  1.920489669705, 1.949198451452, 2.869688121158, 1.667888627056, 1.003669914253, 1.671558541309};
    static const double b6[12] = {1.302909147502e1, 3.609523137781e5, 3.609643428696e5, 2.989624870843, 7.719398310560e1, 7.918360797644e1,
                                  1.558349911015, 2.017874512492, 2.576224423508, 1.401011036033, 1.005063400157, 1.406074436190};
    static const double b10[12] = {4.594582163596, 2.143479674375e5, 2.143515620196e5, 1.941897816387, 6.759499724722e1, 6.853689506361e1,
                                   1.308845065554, 2.019611117572, 2.328456183127, 1.222865642851, 1.005802229480, 1.228667872332};
    static const double start[4] = {0.5, 0.1, 1e-3, 1e-5};
    double co[15], reached, a, b, c, l;
    int i, t;
    for (i = 0; i < 4; i++) { /* b = 2 against the closed form of QDWH */
        l = start[i];
        CHECK_ALWAYS(nrx_opt_freon_coefficients(2, l, 1, co, &reached) == NRX_OK);
        nrxi_opt_qdwh_coefficients(&l, &a, &b, &c);
        CHECK_REL(co[0], a, 1e-11);
        CHECK_REL(co[1], b, 1e-11);
        CHECK_REL(co[2], c, 1e-11);
        CHECK_REL(reached, l, 1e-12);
    }
    CHECK_ALWAYS(nrx_opt_freon_coefficients(3, 1e-3, 1, co, &reached) == NRX_OK);
    CHECK_REL(co[0], 33.43869248353, 1e-11);
    CHECK_REL(co[1], 5766.423263390, 1e-11);
    CHECK_REL(co[2], 5798.861955873, 1e-11);
    CHECK_REL(reached, 0.332516372525598, 1e-12);
    CHECK_ALWAYS(nrx_opt_freon_coefficients(4, 1e-5, 4, co, &reached) == NRX_OK);
    for (i = 0; i < 12; i++) CHECK_REL(co[i], b4[i], 1e-9);
    CHECK_ALWAYS(nrx_opt_freon_coefficients(6, 1e-5, 4, co, &reached) == NRX_OK);
    for (i = 0; i < 12; i++) CHECK_REL(co[i], b6[i], 1e-9);
    CHECK_ALWAYS(nrx_opt_freon_coefficients(10, 1e-5, 4, co, &reached) == NRX_OK);
    for (i = 0; i < 12; i++) CHECK_REL(co[i], b10[i], 1e-9); /* the last row hardly depends on them */
    /* the error they promise, measured by running the scalar map: |z - 1| after centring */
    for (t = 2; t <= 4; t++) {
        static const double promised[3] = {1.33e-1, 7.33e-4, 1.2e-10};
        double worst = 0;
        CHECK_ALWAYS(nrx_opt_freon_coefficients(4, 1e-5, (size_t)t, co, &reached) == NRX_OK);
        for (i = 0; i <= 4000; i++) {
            double z = pow(1e-5, i / 4000.0 / 2), u;
            int s;
            for (s = 0; s < t; s++) { u = pow(z, 4); z *= (co[3 * s] + co[3 * s + 1] * u) / (1 + co[3 * s + 2] * u); }
            z *= 2 / (1 + reached);
            if (fabs(z - 1) > worst) worst = fabs(z - 1);
        }
        CHECK(worst < 1.03 * promised[t - 2] + 1e-13 && worst > 0.5 * promised[t - 2]);
    }
    CHECK_ALWAYS(nrx_opt_freon_coefficients(1, 1e-3, 1, co, &reached) == NRX_E_ARG);
}

static void freon(void)
{
    static const struct { double kappa, c, tol; } run[] = {{1e2, 2.0 / 3, 5e-14}, {1e4, 0.5, 3e-12}, {1e4, 2.0 / 3, 1e-11}, {1e4, 0.75, 6e-11}, {1e6, 2.0 / 3, 9e-8},
                                                           {1e6, 0.75, 2e-8}, {1e2, 0.25, 1e-13}, {1e2, 1, 1e-12}};
    double a[96], b[96], c[96], e[96], norm, s;
    float f[96], g[96];
    size_t i, j, r;
    int n = (int)(sizeof run / sizeof *run), t;
    nrx_opt_freon_desc d = NRX_ZERO;
    for (t = 0; t < n; t++) { /* against the closed form, in f64 */
        d.c = run[t].c;
        d.scale = NRX_FREON_RAW;
        d.sigma_min = 1e-7;
        d.terms = 5;
        known(12, 8, run[t].kappa, 1, a);
        known(12, 8, run[t].kappa, 1 - 2 * d.c, e);
        CHECK_ALWAYS(nrx_opt_freon(NRX_F64, 12, 8, a, b, &d) == NRX_OK);
        CHECK(rel(96, b, e) < run[t].tol);
        if (getenv("NRX_SHOW")) printf("c %.3f kappa %.0e: f64 against closed form %.2e\n", d.c, run[t].kappa, rel(96, b, e));
        d.exact = 1;
        CHECK_ALWAYS(nrx_opt_freon(NRX_F64, 12, 8, a, c, &d) == NRX_OK);
        CHECK(rel(96, c, e) < 1e-15 * run[t].kappa * 20);
        d.exact = 0;
        /* f32 storage, k x k work in f64: within 1e-5 of the f64 map of the same matrix; the closed form differs by kappa eps */
        for (i = 0; i < 96; i++) { f[i] = (float)a[i]; c[i] = (double)f[i]; }
        CHECK_ALWAYS(nrx_opt_freon(NRX_F32, 12, 8, f, g, &d) == NRX_OK && nrx_opt_freon(NRX_F64, 12, 8, c, b, &d) == NRX_OK);
        for (i = 0; i < 96; i++) c[i] = (double)g[i];
        CHECK(rel(96, c, b) < 1e-5);
        if (d.c > 0.5 && run[t].kappa == 1e6) CHECK(rel(96, c, e) < 5e-2);
        if (getenv("NRX_SHOW")) printf("c %.3f kappa %.0e: f32 against f64 map %.2e, closed form %.2e\n", d.c, run[t].kappa, rel(96, c, b), rel(96, c, e));
    }
    /* default conventions: c = 0 gives G sqrt(k)/|G|_F; c = 1/2 the polar factor; homogeneity; transposes; <D, G> */
    memset(&d, 0, sizeof d);
    known(12, 8, 50, 1, a);
    CHECK_ALWAYS(nrx_opt_freon(NRX_F64, 12, 8, a, b, &d) == NRX_OK);
    for (norm = 0, i = 0; i < 96; i++) norm += a[i] * a[i];
    norm = sqrt(norm);
    for (i = 0; i < 96; i++) CHECK_NEAR(b[i], a[i] * sqrt(8.0) / norm, 1e-15);
    d.c = 0.5;
    CHECK_ALWAYS(nrx_opt_freon(NRX_F64, 12, 8, a, b, &d) == NRX_OK && nrx_opt_polar(NRX_F64, 12, 8, a, c, NULL, NULL, NULL) == NRX_OK);
    CHECK(rel(96, b, c) < 1e-12);
    d.c = 2.0 / 3;
    d.sigma_min = 1e-7;
    d.terms = 5;
    CHECK_ALWAYS(nrx_opt_freon(NRX_F64, 12, 8, a, b, &d) == NRX_OK);
    for (s = 0, i = 0; i < 8; i++) s += pow(sigma(8, 50, i), 2 - 2 * d.c) / 8;
    s = pow(s, 1 / (2 - 2 * d.c)); /* the power mean */
    known(12, 8, 50, 1 - 2 * d.c, e);
    for (i = 0; i < 96; i++) e[i] *= pow(s, 2 * d.c - 1);
    CHECK(rel(96, b, e) < 1e-13);
    for (i = 0; i < 96; i++) c[i] = 1e-140 * a[i];
    CHECK_ALWAYS(nrx_opt_freon(NRX_F64, 12, 8, c, c, &d) == NRX_OK);
    CHECK(rel(96, c, b) < 1e-13);
    for (i = 0; i < 12; i++) for (j = 0; j < 8; j++) c[j * 12 + i] = a[i * 8 + j];
    CHECK_ALWAYS(nrx_opt_freon(NRX_F64, 8, 12, c, c, &d) == NRX_OK);
    for (i = 0; i < 12; i++) for (j = 0; j < 8; j++) CHECK_NEAR(c[j * 12 + i], b[i * 8 + j], 1e-12);
    /* c = 1: G^T D = V V^T; semigroup D_1/4(D_1/4) has spectrum sigma^(1/4) */
    d.c = 1;
    d.scale = NRX_FREON_RAW;
    CHECK_ALWAYS(nrx_opt_freon(NRX_F64, 12, 8, a, b, &d) == NRX_OK);
    for (i = 0; i < 8; i++) for (j = 0; j < 8; j++) {
        for (s = 0, r = 0; r < 12; r++) s += a[r * 8 + i] * b[r * 8 + j];
        CHECK_NEAR(s, i == j, 1e-11);
    }
    d.c = 0.25;
    CHECK_ALWAYS(nrx_opt_freon(NRX_F64, 12, 8, a, b, &d) == NRX_OK && nrx_opt_freon(NRX_F64, 12, 8, b, b, &d) == NRX_OK);
    known(12, 8, 50, 0.25, e);
    CHECK(rel(96, b, e) < 1e-12);
    /* an exponent that is no small fraction goes by SVD; the same values */
    d.c = 0.6180339887;
    CHECK_ALWAYS(nrx_opt_freon(NRX_F64, 12, 8, a, b, &d) == NRX_OK);
    known(12, 8, 50, 1 - 2 * d.c, e);
    CHECK(rel(96, b, e) < 1e-12);
    /* rank deficient, zero, 1 x n, not finite */
    d.c = 0.75;
    d.scale = NRX_FREON_POWER_MEAN;
    for (i = 0; i < 12; i++) for (j = 0; j < 8; j++) a[i * 8 + j] = (double)(i + 1) * cos((double)j);
    CHECK_ALWAYS(nrx_opt_freon(NRX_F64, 12, 8, a, b, &d) == NRX_OK && nrxi_all_finite(b, 96, NRX_F64));
    CHECK_ALWAYS(nrx_opt_freon(NRX_F64, 1, 96, a, b, &d) == NRX_OK);
    for (norm = 0, i = 0; i < 96; i++) norm += a[i] * a[i];
    for (i = 0; i < 96; i++) CHECK_NEAR(b[i], a[i] / sqrt(norm), 1e-12);
    memset(a, 0, sizeof a);
    CHECK_ALWAYS(nrx_opt_freon(NRX_F64, 12, 8, a, b, &d) == NRX_OK && b[5] == 0);
    a[3] = NAN;
    CHECK_ALWAYS(nrx_opt_freon(NRX_F64, 12, 8, a, b, &d) == NRX_E_NUMERIC && b[5] == 0);
    CHECK_ALWAYS(nrx_opt_polar(NRX_F64, 12, 8, a, b, NULL, NULL, NULL) == NRX_E_NUMERIC);
    CHECK_ALWAYS(nrx_opt_newton_schulz(NRX_F64, 12, 8, a, b, NULL) == NRX_E_NUMERIC);
    CHECK_ALWAYS(nrx_opt_kaon(NRX_F64, 12, 8, a, b, 0, NULL, NULL) == NRX_E_NUMERIC);
    d.c = 3;
    a[3] = 0;
    CHECK_ALWAYS(nrx_opt_freon(NRX_F64, 12, 8, a, b, &d) == NRX_E_ARG);
}

static void kaon(void)
{
    static const double at[10] = {0.001, 0.005, 0.01, 0.03, 0.05, 0.1, 0.3, 0.5, 0.9, 1.0};
    static const double to[10] = {0.974436108648, 0.156247132692, 0.152582300505, 1.052415025886, 0.322925446975, 0.154315789980, 0.395834494058, 1.170383103948,
                                  1.088227518801, 0};
    double x, top = 0, lyapunov = 0, a[24], b[24], c[24], s, sum = 0;
    int i, j, t, fallback;
    for (i = 0; i < 10; i++) { /* through the implementation: sigma and the rest of the unit norm on a 2 x 2 diagonal */
        double m[4] = {0, 0, 0, 0}, rest = sqrt(1 - at[i] * at[i]);
        m[0] = at[i];
        m[3] = rest;
        if (at[i] == 1.0) continue;
        CHECK_ALWAYS(nrx_opt_kaon(NRX_F64, 2, 2, m, m, 5, &fallback, NULL) == NRX_OK && !fallback);
        CHECK_NEAR(m[0] * 1.175, to[i], 1e-9);
    }
    for (i = 0; i <= 100000; i++) { x = 1.175 * i / 100000.0; s = 4.1 * x * (1 - x * x) * (1 - x * x); if (s > top && x <= 1.17349) top = s; }
    CHECK_NEAR(top, 1.17348847459189, 1e-9);
    for (x = 0.3, i = 0; i < 2000000; i++) { /* Lyapunov exponent of the map, and its stationary mean */
        s = 1 - x * x;
        lyapunov += log(fabs(4.1 * s * (s - 4 * x * x)));
        x = 4.1 * x * s * s;
        sum += x / 1.175;
    }
    CHECK_NEAR(lyapunov / 2e6, 0.888, 2e-3);
    CHECK_NEAR(sum / 2e6, 0.469, 2e-3);
    known(6, 4, 100, 1, a);
    CHECK_ALWAYS(nrx_opt_kaon(NRX_F64, 6, 4, a, b, 0, &fallback, NULL) == NRX_OK && !fallback);
    CHECK_NEAR(b[0], 0.833168277023294, 1e-9);
    CHECK_NEAR(b[4], 0.066030107639766, 1e-9);
    { /* the spectrum, through an SVD of the result: in [0, 0.99872] */
        static const double sv[4] = {0.908987389265930, 0.723525101671860, 0.696851216044023, 0.064959686374067};
        double copy[24], v[4], work[400];
        memcpy(copy, b, sizeof copy);
        CHECK(nrxi_svd_work(6, 4) <= 400);
        CHECK_ALWAYS(nrxi_svd(6, 4, copy, 4, v, NULL, 0, NULL, 0, work) == NRX_OK);
        for (i = 0; i < 4; i++) CHECK_NEAR(v[i], sv[i], 1e-9);
    }
    for (s = 0, i = 0; i < 24; i++) s += a[i] * b[i];
    CHECK(s > 0);
    { /* invariance: rows reflected by a Householder matrix */
        double q[24], qb[24];
        for (i = 0; i < 6; i++) for (j = 0; j < 4; j++) {
            for (q[i * 4 + j] = qb[i * 4 + j] = 0, t = 0; t < 6; t++) {
                q[i * 4 + j] += refl_v(6, (size_t)i, (size_t)t) * a[t * 4 + j];
                qb[i * 4 + j] += refl_v(6, (size_t)i, (size_t)t) * b[t * 4 + j];
            }
        }
        CHECK_ALWAYS(nrx_opt_kaon(NRX_F64, 6, 4, q, c, 0, NULL, NULL) == NRX_OK);
        for (i = 0; i < 24; i++) CHECK_NEAR(c[i], qb[i], 1e-9);
    }
    /* rank one and vectors: the guard */
    for (i = 0; i < 6; i++) for (j = 0; j < 4; j++) a[i * 4 + j] = (double)(i + 1) * (double)(j - 2);
    for (s = 0, i = 0; i < 24; i++) s += a[i] * a[i];
    CHECK_ALWAYS(nrx_opt_kaon(NRX_F64, 6, 4, a, b, 0, &fallback, NULL) == NRX_OK && fallback);
    for (i = 0; i < 24; i++) CHECK_NEAR(b[i], a[i] / sqrt(s), 1e-14);
    CHECK_ALWAYS(nrx_opt_kaon(NRX_F64, 6, 4, a, a, 0, &fallback, NULL) == NRX_OK && fallback);
    for (i = 0; i < 24; i++) CHECK_NEAR(b[i], a[i], 1e-14);
    { float f[24], g[24]; for (i = 0; i < 24; i++) f[i] = (float)a[i];
      CHECK_ALWAYS(nrx_opt_kaon(NRX_F32, 6, 4, f, g, 0, &fallback, NULL) == NRX_OK && fallback);
      for (i = 0; i < 24; i++) CHECK_NEAR(g[i], a[i], 1e-6); }
    CHECK_ALWAYS(nrx_opt_kaon(NRX_F64, 1, 24, a, b, 0, &fallback, NULL) == NRX_OK && fallback);
}

static void thresholding(void)
{
    double a[96], x[96], z[96], norm, inner = 0, nuc = 0, nz;
    size_t rank, i;
    known(12, 8, 100, 1, a);
    CHECK_ALWAYS(nrx_opt_svt(NRX_F64, 12, 8, a, 0.05, x, &rank, NULL) == NRX_OK);
    CHECK(rank == 5); /* 100^(-i/7) > 0.05 for i <= 4 */
    for (i = 0; i < 8; i++) if (sigma(8, 100, i) > 0.05) nuc += sigma(8, 100, i) - 0.05;
    for (i = 0; i < 96; i++) { z[i] = (a[i] - x[i]) / 0.05; inner += z[i] * x[i]; }
    CHECK_NEAR(inner, nuc, 1e-13);
    CHECK_ALWAYS(nrx_opt_spectral_norm(NRX_F64, 12, 8, z, &nz, NULL) == NRX_OK && nrx_opt_spectral_norm(NRX_F64, 12, 8, a, &norm, NULL) == NRX_OK);
    CHECK(nz <= 1 + 1e-13);
    CHECK_NEAR(norm, 1, 1e-14);
    CHECK_ALWAYS(nrx_opt_svt(NRX_F64, 12, 8, a, -1, x, &rank, NULL) == NRX_E_ARG);
}

/* 1e+-150 in f64, 1e+-30 in f32: nothing overflows on the way. */
static void scales(void)
{
    static const double by[4] = {1e150, 1e-150, 1e300, 1e-300};
    double a[24], b[24], c[24], u[24];
    float f[24], g[24];
    int i, t;
    known(6, 4, 10, 1, a);
    CHECK_ALWAYS(nrx_opt_newton_schulz(NRX_F64, 6, 4, a, u, NULL) == NRX_OK);
    for (t = 0; t < 4; t++) {
        nrx_opt_ns_desc d = NRX_ZERO;
        d.eps = -1;
        for (i = 0; i < 24; i++) { b[i] = by[t] * a[i]; f[i] = (float)((t % 2 ? 1e-30 : 1e30) * a[i]); }
        CHECK_ALWAYS(nrx_opt_newton_schulz(NRX_F64, 6, 4, b, c, &d) == NRX_OK);
        for (i = 0; i < 24; i++) CHECK_NEAR(c[i], u[i], 1e-6);
        CHECK_ALWAYS(nrx_opt_newton_schulz(NRX_F32, 6, 4, f, g, &d) == NRX_OK);
        for (i = 0; i < 24; i++) CHECK_NEAR(g[i], u[i], 1e-4);
        CHECK_ALWAYS(nrx_opt_polar(NRX_F64, 6, 4, b, c, NULL, NULL, NULL) == NRX_OK && defect2(6, 4, c) < 1e-15);
        CHECK_ALWAYS(nrx_opt_polar(NRX_F32, 6, 4, f, g, NULL, NULL, NULL) == NRX_OK);
        CHECK_ALWAYS(nrx_opt_kaon(NRX_F32, 6, 4, f, g, 0, NULL, NULL) == NRX_OK && nrxi_all_finite(g, 24, NRX_F32));
    }
}

#if defined(NRX_TEST_ALLOC)
static void allocations(void)
{
    double a[12] = {1, 2, 3, 4, 5, 6, 7, 8, 10, 3, 1, 2}, b[12], h[9], norm;
    nrx_test_heap heap;
    nrx_opt_polar_desc p = NRX_ZERO;
    nrx_opt_ns_desc n = NRX_ZERO;
    nrx_opt_freon_desc f = NRX_ZERO;
    nrx_env env = NRX_ZERO;
    NRX_TEST_EACH_ALLOC(p.env, heap, nrx_opt_polar(NRX_F64, 4, 3, a, b, h, &p, NULL), (void)0);
    NRX_TEST_EACH_ALLOC(n.env, heap, nrx_opt_newton_schulz(NRX_F64, 4, 3, a, b, &n), (void)0);
    f.c = 0.75;
    NRX_TEST_EACH_ALLOC(f.env, heap, nrx_opt_freon(NRX_F64, 4, 3, a, b, &f), (void)0);
    f.exact = 1;
    NRX_TEST_EACH_ALLOC(f.env, heap, nrx_opt_freon(NRX_F64, 4, 3, a, b, &f), (void)0);
    NRX_TEST_EACH_ALLOC(env, heap, nrx_opt_kaon(NRX_F64, 4, 3, a, b, 0, NULL, &env), (void)0);
    NRX_TEST_EACH_ALLOC(env, heap, nrx_opt_svt(NRX_F64, 4, 3, a, 0.1, b, NULL, &env), (void)0);
    NRX_TEST_EACH_ALLOC(env, heap, nrx_opt_spectral_norm(NRX_F64, 4, 3, a, &norm, &env), (void)0);
}
#endif

int main(void)
{
#if defined(NRX_TEST_ALLOC)
    allocations();
#else
    construction();
    parts();
    qdwh();
    newton_schulz();
    coefficients();
    freon();
    kaon();
    thresholding();
    scales();
#endif
    return nrx_test_end();
}
