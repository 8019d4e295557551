/* Matrix products against a triple loop in f64, for every instruction set this machine has.
   SPDX-License-Identifier: MIT-0 OR Unlicense
   run: threads reproducible fp arch */
#define NRX_TEST_POOL
#include "nrx_test.h"
#include "nrx_tensor.h"
#if defined(NRXI_X86) /* the test chooses the instruction set: 0 plain, 1 AVX2, 2 AVX-512 */
static int test_level = 2;
#undef nrxi_cpu_avx2
#undef nrxi_cpu_avx512
#define nrxi_cpu_avx2() (test_level >= 1 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#define nrxi_cpu_avx512()                                                                                             \
    (test_level >= 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&                   \
     __builtin_cpu_supports("avx512vl"))
#endif
static int test_no_memory;
static void *test_malloc(size_t size) { return test_no_memory ? NULL : malloc(size); }
#define NRX_MALLOC(size) test_malloc(size)
#define NRX_REALLOC(ptr, size) realloc(ptr, size)
#define NRX_FREE(ptr) free(ptr)
#define NRX_TENSOR_IMPLEMENTATION
#include "nrx_tensor.h"
#include "nrx_test.h"

typedef struct { int dtype; void *p; size_t count; } array;

static double array_get(const array *a, size_t i)
{
    return a->dtype == NRX_F32 ? (double)((float *)a->p)[i] : ((double *)a->p)[i];
}
static void array_set(const array *a, size_t i, double v)
{
    if (a->dtype == NRX_F32) ((float *)a->p)[i] = (float)v;
    else ((double *)a->p)[i] = v;
}
/* rows x cols, rows ld apart, exactly as large as it must be; NaN between the rows */
static array array_new(int dtype, size_t rows, size_t cols, size_t ld, nrx_test_rng *r)
{
    array a;
    size_t i, j;
    a.dtype = dtype;
    a.count = rows && cols ? (rows - 1) * ld + cols : 0;
    a.p = malloc(a.count * 8 + 1);
    for (i = 0; i < a.count; i++) array_set(&a, i, NAN);
    for (i = 0; i < rows; i++)
        for (j = 0; j < cols; j++) array_set(&a, i * ld + j, nrx_test_signed(r));
    return a;
}

typedef struct {
    int dtype, ta, tb;
    size_t m, n, k, lda, ldb, ldc;
    double alpha, beta;
} product;

static nrx_status product_run(const product *q, const array *a, const array *b, const array *c)
{
    if (q->dtype == NRX_F32)
        return nrx_gemm_f32(q->ta, q->tb, q->m, q->n, q->k, (float)q->alpha, (const float *)a->p, q->lda, (const float *)b->p,
                            q->ldb, (float)q->beta, (float *)c->p, q->ldc);
    return nrx_gemm_f64(q->ta, q->tb, q->m, q->n, q->k, q->alpha, (const double *)a->p, q->lda, (const double *)b->p, q->ldb,
                        q->beta, (double *)c->p, q->ldc);
}

/* Compares `stride`-th entries of C; the error expected of a sum of k rounded terms is 3 + sqrt(k)
   half ulp of the sum of their sizes (product, scaling by alpha, last addition; then a random walk). */
static void product_check(const product *q, const array *a, const array *b, const array *before, const array *c, size_t stride)
{
    double eps = q->dtype == NRX_F32 ? 0x1p-24 : 0x1p-53, worst = 0;
    size_t e, i, j, p, untouched = 0;
    for (e = 0; e < q->m * q->n; e += stride) {
        long double s = 0, was;
        double size = 0, error, bound;
        i = e / q->n;
        j = e % q->n;
        if (q->alpha != 0) {
            long double sum = 0;
            for (p = 0; p < q->k; p++) {
                double x = array_get(a, q->ta ? p * q->lda + i : i * q->lda + p), y = array_get(b, q->tb ? j * q->ldb + p : p * q->ldb + j);
                sum += (long double)x * y;
                size += fabs(x * y);
            }
            s = q->alpha * sum;
            size *= fabs(q->alpha);
        }
        was = q->beta != 0 ? (long double)q->beta * array_get(before, i * q->ldc + j) : 0;
        error = (double)fabsl(array_get(c, i * q->ldc + j) - (s + was));
        bound = eps * ((3.0 + sqrt((double)q->k)) * size + 2.0 * (double)fabsl(was));
        if (!(error <= bound)) worst = fmax(worst, error / bound), worst = worst == worst ? worst : 1e300;
    }
    for (i = 0; q->n > 0 && i + 1 < q->m; i++)
        for (p = i * q->ldc + q->n; p < (i + 1) * q->ldc; p++) untouched += !isnan(array_get(c, p));
    CHECK(worst == 0);
    CHECK(untouched == 0);
#if !defined(NRX_TEST_FAST_MATH)
    if (worst != 0)
        printf("  f%d t%d%d %zux%zux%zu ld %zu %zu %zu alpha %g beta %g: %g times the bound\n", q->dtype ? 64 : 32, q->ta, q->tb, q->m,
               q->n, q->k, q->lda, q->ldb, q->ldc, q->alpha, q->beta, worst);
#endif
}

static void product_test(product q, nrx_test_rng *r, size_t pad, size_t stride)
{
    array a, b, c, before;
    size_t i, j;
    q.lda = (q.ta ? q.m : q.k) + nrx_test_below(r, pad + 1);
    q.ldb = (q.tb ? q.k : q.n) + nrx_test_below(r, pad + 1);
    q.ldc = q.n + nrx_test_below(r, pad + 1);
    a = array_new(q.dtype, q.ta ? q.k : q.m, q.ta ? q.m : q.k, q.lda, r);
    b = array_new(q.dtype, q.tb ? q.n : q.k, q.tb ? q.k : q.n, q.ldb, r);
    c = array_new(q.dtype, q.m, q.n, q.ldc, r);
    before = c;
    before.p = malloc(c.count * 8 + 1);
    memcpy(before.p, c.p, c.count * (q.dtype == NRX_F32 ? 4 : 8));
    if (q.beta == 0)
        for (i = 0; i < q.m; i++)
            for (j = 0; j < q.n; j++) array_set(&c, i * q.ldc + j, NAN); /* must not be read */
    if (q.alpha == 0) for (i = 0; i < a.count; i++) array_set(&a, i, NAN);
    CHECK_ALWAYS(product_run(&q, &a, &b, &c) == NRX_OK);
    product_check(&q, &a, &b, &before, &c, stride);
    free(a.p); free(b.p); free(c.p); free(before.p);
}

static double pick(nrx_test_rng *r)
{
    double v[6] = {0, 1, 1, -1, 0.5, 1.75};
    return v[nrx_test_below(r, 6)];
}

/* Random shapes, strides and flags: tiny, medium, and skinny in every direction. */
static void random_products(int count, uint64_t seed)
{
    static const size_t limit[8][3] = {{6, 6, 6}, {40, 40, 40}, {110, 110, 70}, {17, 600, 90}, {600, 17, 90}, {17, 300, 300},
                                       {300, 17, 300}, {40, 70, 700}};
    nrx_test_rng r;
    int t;
    r.s = seed;
    for (t = 0; t < count; t++) {
        const size_t *l = limit[t % 8];
        product q;
        memset(&q, 0, sizeof q);
        q.dtype = nrx_test_uniform(&r) < 0.5 ? NRX_F32 : NRX_F64;
        q.ta = nrx_test_uniform(&r) < 0.5;
        q.tb = nrx_test_uniform(&r) < 0.5;
        q.m = nrx_test_below(&r, l[0] + 1);
        q.n = nrx_test_below(&r, l[1] + 1);
        q.k = nrx_test_below(&r, l[2] + 1);
        q.alpha = pick(&r);
        q.beta = pick(&r);
        product_test(q, &r, 9, q.m * q.n * q.k > 200000 ? 17 : 1);
    }
}

/* Large enough for the packed way, for a second superblock and for chunks; sampled. */
static void large_products(void)
{
    static const size_t shape[5][3] = {{720, 210, 1500}, {1700, 203, 700}, {130, 3300, 8300}, {3200, 200, 400}, {16, 3000, 2500}};
    nrx_test_rng r = {77};
    int t;
    for (t = 0; t < 5; t++) {
        product q;
        memset(&q, 0, sizeof q);
        q.dtype = t % 2 ? NRX_F64 : NRX_F32;
        q.ta = t == 1 || t == 4;
        q.tb = t == 2;
        q.m = shape[t][0]; q.n = shape[t][1]; q.k = shape[t][2];
        if (t == 2) q.k = 4200;
        q.alpha = 1.5;
        q.beta = t == 3 ? 0 : -1;
        product_test(q, &r, 3, 4999);
    }
}

/* What a status is for. */
static void bad_arguments(void)
{
    float a[16] = {1}, b[16] = {1}, c[16] = {0};
    double d[4] = {0};
    size_t huge = (size_t)-1 / 4;
    CHECK_ALWAYS(nrx_gemm_f32(2, 0, 2, 2, 2, 1, a, 2, b, 2, 0, c, 2) == NRX_E_ARG);
    CHECK_ALWAYS(nrx_gemm_f32(0, -1, 2, 2, 2, 1, a, 2, b, 2, 0, c, 2) == NRX_E_ARG);
    CHECK_ALWAYS(nrx_gemm_f32(0, 0, 2, 2, 3, 1, a, 2, b, 2, 0, c, 2) == NRX_E_ARG);
    CHECK_ALWAYS(nrx_gemm_f32(1, 0, 3, 2, 2, 1, a, 2, b, 2, 0, c, 2) == NRX_E_ARG);
    CHECK_ALWAYS(nrx_gemm_f32(0, 1, 2, 2, 3, 1, a, 3, b, 2, 0, c, 2) == NRX_E_ARG);
    CHECK_ALWAYS(nrx_gemm_f32(0, 0, 2, 3, 2, 1, a, 2, b, 3, 0, c, 2) == NRX_E_ARG);
    CHECK_ALWAYS(nrx_gemm_f32(0, 0, 2, 2, 2, 1, NULL, 2, b, 2, 0, c, 2) == NRX_E_ARG);
    CHECK_ALWAYS(nrx_gemm_f32(0, 0, 2, 2, 2, 1, a, 2, NULL, 2, 0, c, 2) == NRX_E_ARG);
    CHECK_ALWAYS(nrx_gemm_f32(0, 0, 2, 2, 2, 1, a, 2, b, 2, 0, NULL, 2) == NRX_E_ARG);
    CHECK_ALWAYS(nrx_gemm_f32(0, 0, huge, 2, huge, 1, a, huge, b, 2, 0, c, 2) == NRX_E_RANGE);
    CHECK_ALWAYS(nrx_gemm_f64(0, 0, 2, huge, 2, 1, d, 2, d, huge, 0, d, huge) == NRX_E_RANGE);
    CHECK_ALWAYS(nrx_gemm_f64(0, 0, huge, huge, 1, 1, d, 1, d, huge, 0, d, huge) == NRX_E_RANGE);
    CHECK_ALWAYS(nrx_gemm_batch_f64(0, 0, 1, 1, 1, 1, d, 1, huge, d, 1, 0, 0, d, 1, 1, 3) == NRX_E_RANGE);
    CHECK_ALWAYS(nrx_gemm_batch_f64(0, 0, 1, 1, 1, 1, d, 1, 0, d, 1, 0, 0, d, 1, 0, 2) == NRX_E_ARG);
    /* nothing to do is fine, whatever the pointers */
    CHECK_ALWAYS(nrx_gemm_f32(0, 0, 0, 2, 2, 1, NULL, 2, b, 2, 0, NULL, 2) == NRX_OK);
    CHECK_ALWAYS(nrx_gemm_f32(0, 0, 2, 0, 2, 1, a, 2, NULL, 0, 0, NULL, 0) == NRX_OK);
    c[0] = c[1] = c[2] = c[3] = 3;
    CHECK_ALWAYS(nrx_gemm_f32(0, 0, 2, 2, 0, 1, NULL, 0, NULL, 2, 2, c, 2) == NRX_OK);
    CHECK(c[0] == 6 && c[3] == 6);
    CHECK_ALWAYS(nrx_gemm_f32(111, 112, 1, 1, 1, 1, a, 1, b, 1, 0, c, 1) == NRX_OK);
    CHECK(c[0] == 1);
}

/* A NaN or infinity spoils its row and column of C and nothing else, in every shape. */
static void non_finite(void)
{
    static const size_t shape[6][3] = {{3, 5, 4}, {50, 70, 33}, {2, 900, 80}, {900, 2, 80}, {9, 100, 300}, {100, 9, 300}};
    int t, flags;
    for (t = 0; t < 6; t++)
        for (flags = 0; flags < 4; flags++) {
            size_t m = shape[t][0], n = shape[t][1], k = shape[t][2], i, bad = 0, row = m / 2, p = k - 1;
            float *a = (float *)malloc(m * k * 4), *b = (float *)malloc(n * k * 4), *c = (float *)malloc(m * n * 4);
            for (i = 0; i < m * k; i++) a[i] = 1;
            for (i = 0; i < n * k; i++) b[i] = 2;
            a[flags & 1 ? p * m + row : row * k + p] = NAN;
            CHECK_ALWAYS(nrx_gemm_f32(flags & 1, flags >> 1, m, n, k, 1, a, flags & 1 ? m : k, b, flags & 2 ? k : n, 0, c, n) == NRX_OK);
            for (i = 0; i < m * n; i++) bad += i / n == row ? !isnan(c[i]) : c[i] != 2.0f * (float)k;
            CHECK(bad == 0);
            free(a); free(b); free(c);
        }
}

/* Without memory for the workspace the result is right all the same. */
static void no_memory(void)
{
    size_t m = 1100, n = 200, k = 1000, i, p;
    float *a = (float *)malloc(m * k * 4), *b = (float *)malloc(n * k * 4), *c = (float *)malloc(m * n * 4);
    double worst = 0;
    nrx_test_rng r = {5};
    for (i = 0; i < m * k; i++) a[i] = (float)nrx_test_signed(&r);
    for (i = 0; i < n * k; i++) b[i] = (float)nrx_test_signed(&r);
    CHECK_ALWAYS(nrxi_gemm_work_f32(m, n, k) > 0);
    test_no_memory = 1;
    CHECK_ALWAYS(nrx_gemm_f32(0, 0, m, n, k, 1, a, k, b, n, 0, c, n) == NRX_OK);
    test_no_memory = 0;
    for (i = 0; i < m * n; i += 997) {
        double s = 0;
        for (p = 0; p < k; p++) s += (double)a[i / n * k + p] * b[p * n + i % n];
        worst = fmax(worst, fabs(s - (double)c[i]));
    }
    CHECK(worst < 2e-5);
    free(a); free(b); free(c);
}

static void batches(void)
{
    static const size_t shape[4][4] = {{3, 4, 5, 200}, {33, 20, 40, 7}, {2, 100, 50, 9}, {260, 260, 260, 2}};
    nrx_test_rng r = {99};
    int t;
    for (t = 0; t < 4; t++) {
        size_t m = shape[t][0], n = shape[t][1], k = shape[t][2], count = shape[t][3], i, differ = 0;
        double *a = (double *)malloc(m * k * count * 8), *b = (double *)malloc(n * k * 8);
        double *c = (double *)calloc(m * n * count, 8), *one = (double *)calloc(m * n, 8);
        for (i = 0; i < m * k * count; i++) a[i] = nrx_test_signed(&r);
        for (i = 0; i < n * k; i++) b[i] = nrx_test_signed(&r);
        CHECK_ALWAYS(nrx_gemm_batch_f64(1, 0, m, n, k, 2, a, m, m * k, b, n, 0, 0, c, n, m * n, count) == NRX_OK);
        for (i = 0; i < count; i++) {
            nrx_gemm_f64(1, 0, m, n, k, 2, a + i * m * k, m, b, n, 0, one, n);
            differ += memcmp(one, c + i * m * n, m * n * 8) != 0;
        }
        CHECK(differ == 0);
        free(a); free(b); free(c); free(one);
    }
}

/* Bits of a few products of every kind; in the threads group the hook or OpenMP shares them. */
static void checksums(const nrx_env *env)
{
    static const size_t shape[9][3] = {{5, 7, 9}, {64, 64, 64}, {200, 130, 300}, {1100, 200, 1000}, {3, 2000, 300}, {2000, 3, 300},
                                       {12, 700, 500}, {300, 300, 300}, {150, 900, 1000}};
    int t, f;
    for (t = 0; t < 9; t++)
        for (f = 0; f < 4; f++) {
            size_t m = shape[t][0], n = shape[t][1], k = shape[t][2], i;
            float *a = (float *)malloc(m * k * 4), *b = (float *)malloc(n * k * 4), *c = (float *)calloc(m * n, 4);
            double *a2 = (double *)malloc(m * k * 8), *b2 = (double *)malloc(n * k * 8), *c2 = (double *)calloc(m * n, 8);
            float *w = (float *)malloc(nrxi_gemm_work_f32(m, n, k) * 4 + 4);
            double *w2 = (double *)malloc(nrxi_gemm_work_f64(m, n, k) * 8 + 8);
            char name[60];
            nrx_test_rng r = {3};
            for (i = 0; i < m * k; i++) a[i] = (float)(a2[i] = nrx_test_signed(&r));
            for (i = 0; i < n * k; i++) b[i] = (float)(b2[i] = nrx_test_signed(&r));
            snprintf(name, sizeof name, "gemm_%d_%d", t, f);
            nrxi_gemm_f32(f & 1, f >> 1, m, n, k, 1.25f, a, f & 1 ? m : k, b, f & 2 ? k : n, 0, c, n, w, env);
            nrx_test_checksum(name, c, m * n * 4);
            nrxi_gemm_f64(f & 1, f >> 1, m, n, k, 1.25, a2, f & 1 ? m : k, b2, f & 2 ? k : n, 0, c2, n, w2, env);
            nrx_test_checksum(name, c2, m * n * 8);
            if (t < 3) {
                nrxi_gemm_batch_f32(0, 0, m / 5, n, k, 1, a, k, m / 5 * k, b, n, 0, 0, c, n, m / 5 * n, 5, NULL, env);
                nrx_test_checksum("batch", c, m / 5 * n * 5 * 4);
            }
            free(a); free(b); free(c); free(a2); free(b2); free(c2); free(w); free(w2);
        }
}

int main(void)
{
#if defined(NRX_TEST_THREADS) || defined(NRX_TEST_REPRODUCIBLE)
    nrx_env env = NRX_ZERO;
    int workers = 0;
    NRX_TEST_POOL_ENV(env, workers);
    checksums(&env);
    (void)random_products; (void)large_products; (void)bad_arguments; (void)non_finite; (void)no_memory; (void)batches;
#else
    int few = getenv("NRX_TEST_FEW") != NULL; /* emulated processors are slow */
    (void)checksums;
#if defined(NRXI_X86)
    for (test_level = 0; test_level < 2; test_level++) {
        random_products(700, 1000 + (uint64_t)test_level);
        large_products();
        non_finite();
        batches();
    }
#endif
    random_products(few ? 300 : 2000, 1);
    if (!few) large_products();
    bad_arguments();
    non_finite();
    no_memory();
    batches();
#endif
    return nrx_test_end();
}
