/* SPDX-License-Identifier: MIT-0 OR Unlicense
   run: alloc arch reproducible
   Fourier transforms against the sum by definition; every kernel path; plans, strides, axes, norms; errors. */
#include "../nrx_test.h"
#define NRX_TENSOR_IMPLEMENTATION
#include "nrx_tensor.h"
#include "../nrx_test.h"

enum { MAX = 8192 };
#if defined(NRX_TEST_FAST_MATH)
#define REPORT(ok, what) ((void)(ok), (void)(what))
#else
#define REPORT(ok, what) nrx_test_report(ok, __FILE__, __LINE__, what)
#endif

static double cosine[MAX], sine[MAX];

static void roots(size_t n)
{
    size_t j;
    for (j = 0; j < n; j++) {
        cosine[j] = cos(2.0 * NRX_PI * (double)j / (double)n);
        sine[j] = sin(2.0 * NRX_PI * (double)j / (double)n);
    }
}

/* X_k by definition, with compensated sums; roots(n) has been called. */
static void definition(size_t n, const double *x, size_t k, int inverse, double *re, double *im)
{
    double s[2] = { 0, 0 }, c[2] = { 0, 0 };
    size_t j, jk = 0;
    int h;
    for (j = 0; j < n; j++) {
        double si = inverse ? sine[jk] : -sine[jk], term[2], y, t;
        term[0] = x[2 * j] * cosine[jk] - x[2 * j + 1] * si;
        term[1] = x[2 * j] * si + x[2 * j + 1] * cosine[jk];
        for (h = 0; h < 2; h++) {
            y = term[h] - c[h];
            t = s[h] + y;
            c[h] = (t - s[h]) - y;
            s[h] = t;
        }
        jk += k;
        if (jk >= n) jk -= n;
    }
    *re = s[0];
    *im = s[1];
}

static double error_at(size_t n, const double *x, const double *y, size_t k, int inverse)
{
    double re, im;
    definition(n, x, k, inverse, &re, &im);
    return hypot(re - y[2 * k], im - y[2 * k + 1]) / sqrt((double)n);
}

static double *numbers(size_t n, nrx_test_rng *r)
{
    double *x = (double *)malloc((n + 1) * sizeof *x);
    size_t i;
    for (i = 0; i < n; i++) x[i] = nrx_test_signed(r);
    return x;
}

/* One length: forward and inverse, real and back, f64 and f32. Errors relative to the rms size of the result: a few eps log2(n). */
static void one_length(size_t n)
{
    const double tol = 1.1e-16 * (6 + 2 * log2((double)n)), tol32 = 6e-8 * (6 + 2 * log2((double)n));
    nrx_test_rng r = { 88172645463325252u + n };
    double *x = numbers(2 * n, &r), *y = (double *)malloc((2 * n + 2) * sizeof *y), *z = (double *)malloc((2 * n + 2) * sizeof *z), worst = 0;
    float *a = (float *)malloc((2 * n + 2) * sizeof *a), *b = (float *)malloc((2 * n + 2) * sizeof *b);
    size_t k, step = n > 300 ? n / 61 : 1;
    char what[64];
    roots(n);
    CHECK(nrx_fft_f64(0, n, x, y) == NRX_OK);
    for (k = 0; k < n; k += step) worst = fmax(worst, error_at(n, x, y, k, 0));
    CHECK(nrx_fft_f64(1, n, y, z) == NRX_OK);
    for (k = 0; k < 2 * n; k++) worst = fmax(worst, fabs(z[k] - x[k]));
    CHECK(nrx_fft_f64(1, n, x, z) == NRX_OK);
    for (k = 0; k < n; k += step) {
        double re, im;
        definition(n, x, k, 1, &re, &im);
        worst = fmax(worst, hypot(re / (double)n - z[2 * k], im / (double)n - z[2 * k + 1]) * sqrt((double)n));
    }
    memcpy(z, x, 2 * n * sizeof *z);
    CHECK(nrx_fft_f64(0, n, z, z) == NRX_OK); /* in place: the same bits */
    CHECK(memcmp(z, y, 2 * n * sizeof *z) == 0);
    sprintf(what, "length %lu in f64: worst error %.3g", (unsigned long)n, worst);
    REPORT(worst <= tol, what);

    for (k = 0; k < 2 * n; k++) a[k] = (float)x[k];
    CHECK(nrx_fft_f32(0, n, a, b) == NRX_OK);
    for (worst = 0, k = 0; k < 2 * n; k++) worst = fmax(worst, fabs((double)b[k] - y[k]) / sqrt((double)n));
    CHECK(nrx_fft_f32(1, n, b, b) == NRX_OK);
    for (k = 0; k < 2 * n; k++) worst = fmax(worst, fabs((double)b[k] - x[k]));
    sprintf(what, "length %lu in f32: worst error %.3g", (unsigned long)n, worst);
    REPORT(worst <= tol32, what);

    for (k = 0; k < n; k++) { z[k] = x[k]; a[k] = (float)x[k]; }
    for (k = n; k-- > 0;) { x[2 * k] = x[k]; x[2 * k + 1] = 0; } /* the reals as complex numbers */
    CHECK(nrx_rfft_f64(n, z, y) == NRX_OK);
    for (worst = 0, k = 0; k <= n / 2; k += k < n / 2 && k + step > n / 2 ? n / 2 - k : step) worst = fmax(worst, error_at(n, x, y, k, 0));
    CHECK(y[1] == 0 && (n % 2 || y[2 * (n / 2) + 1] == 0));
    CHECK(nrx_rfft_f64(n, z, z) == NRX_OK); /* in place */
    CHECK(memcmp(z, y, 2 * (n / 2 + 1) * sizeof *z) == 0);
    CHECK(nrx_irfft_f64(n, y, z) == NRX_OK);
    for (k = 0; k < n; k++) worst = fmax(worst, fabs(z[k] - x[2 * k]));
    sprintf(what, "real length %lu in f64: worst error %.3g", (unsigned long)n, worst);
    REPORT(worst <= tol, what);
    CHECK(nrx_rfft_f32(n, a, b) == NRX_OK);
    for (worst = 0, k = 0; k < 2 * (n / 2 + 1); k++) worst = fmax(worst, fabs((double)b[k] - y[k]) / sqrt((double)n));
    CHECK(nrx_irfft_f32(n, b, a) == NRX_OK);
    for (k = 0; k < n; k++) worst = fmax(worst, fabs((double)a[k] - x[2 * k]));
    sprintf(what, "real length %lu in f32: worst error %.3g", (unsigned long)n, worst);
    REPORT(worst <= tol32, what);
    free(x); free(y); free(z); free(a); free(b);
}

/* Scalar, vector and AVX2 passes of every radix do the same arithmetic. */
static void paths(void)
{
#if NRXI_FFT_VEC
    static const size_t radix[] = { 2, 3, 4, 5, 7, 8, 11, 61 }, columns[] = { 8, 9, 13, 16, 24, 31 };
    enum { N = 61 * 3 * 31 };
    nrx_test_rng r = { 7 };
    double *x = numbers(2 * N, &r), *w = numbers(2 * 61 * 3, &r), *root = numbers(128, &r);
    double *y = (double *)calloc(2 * N, 8), *z = (double *)calloc(2 * N, 8), worst = 0;
    float *xf = (float *)calloc(2 * N, 4), *wf = (float *)calloc(2 * 61 * 3, 4), *rf = (float *)calloc(128, 4);
    float *yf = (float *)calloc(2 * N, 4), *zf = (float *)calloc(2 * N, 4), worst32 = 0;
    size_t i, j, k;
    for (i = 0; i < 2 * N; i++) xf[i] = (float)x[i];
    for (i = 0; i < 2 * 61 * 3; i++) wf[i] = (float)w[i];
    for (i = 0; i < 128; i++) rf[i] = (float)root[i];
    for (i = 0; i < sizeof radix / sizeof *radix; i++)
        for (j = 0; j < sizeof columns / sizeof *columns; j++) {
            nrxi_fft_pass_f64(radix[i], 3, columns[j], w, root, x, x + N, y, y + N);
            nrxi_fft_pass_f32(radix[i], 3, columns[j], wf, rf, xf, xf + N, yf, yf + N);
#if !NRXI_FFT_X86
            nrxi_fft_pass_vec_f64(radix[i], 3, columns[j], w, root, x, x + N, z, z + N);
            for (k = 0; k < 2 * N; k++) if (k % N < radix[i] * 3 * columns[j]) worst = fmax(worst, fabs(y[k] - z[k]));
            nrxi_fft_pass_vec_f32(radix[i], 3, columns[j], wf, rf, xf, xf + N, zf, zf + N);
            for (k = 0; k < 2 * N; k++) if (k % N < radix[i] * 3 * columns[j]) worst32 = fmaxf(worst32, fabsf(yf[k] - zf[k]));
#else
            if (!nrxi_cpu_avx2()) continue;
            memset(z, 0, 16 * N);
            memset(zf, 0, 8 * N);
            nrxi_fft_pass_avx2_f64(radix[i], 3, columns[j], w, root, x, x + N, z, z + N);
            for (k = 0; k < 2 * N; k++) if (k % N < radix[i] * 3 * columns[j]) worst = fmax(worst, fabs(y[k] - z[k]));
            nrxi_fft_pass_avx2_f32(radix[i], 3, columns[j], wf, rf, xf, xf + N, zf, zf + N);
            for (k = 0; k < 2 * N; k++) if (k % N < radix[i] * 3 * columns[j]) worst32 = fmaxf(worst32, fabsf(yf[k] - zf[k]));
#endif
        }
    CHECK(worst < 1e-13); /* sums of up to 61 products */
    CHECK(worst32 < 6e-5f);
#if NRXI_FFT_X86
    for (i = 4; nrxi_cpu_avx2() && i < 40; i++) { /* the transposing last step */
        nrxi_fft_last_f64(i, x + 100, x, x + N, y, y + N);
        nrxi_fft_last_avx2_f64(i, x + 100, x, x + N, z, z + N);
        for (k = 0; k < 8 * i; k++) CHECK(fabs(y[k] - z[k]) + fabs(y[N + k] - z[N + k]) < 2e-14);
        if (i < 8) continue;
        nrxi_fft_last_f32(i, xf + 100, xf, xf + N, yf, yf + N);
        nrxi_fft_last_avx2_f32(i, xf + 100, xf, xf + N, zf, zf + N);
        for (k = 0; k < 8 * i; k++) CHECK(fabsf(yf[k] - zf[k]) + fabsf(yf[N + k] - zf[N + k]) < 1e-5f);
    }
#endif
    free(x); free(w); free(root); free(y); free(z); free(xf); free(wf); free(rf); free(yf); free(zf);
#endif
}

/* n-d transforms are one-dimensional ones along each axis, in any order. */
static void axes(int ndim, const size_t *shape, int real)
{
    nrx_fft_desc d = NRX_ZERO;
    nrx_fft *plan;
    size_t n = 1, i, j, k, outer, inner, last = shape[ndim - 1], half = last / 2 + 1, rows;
    nrx_test_rng r = { 99 + (unsigned)ndim };
    double *x, *want, *got, *back, line[2 * 64], worst = 0;
    void *work;
    int axis;
    d.dtype = NRX_F64;
    d.real = real;
    d.ndim = ndim;
    d.batch = 2;
    for (axis = 0; axis < ndim; axis++) { d.shape[axis] = shape[axis]; n *= shape[axis]; }
    rows = n / last;
    x = numbers(4 * n, &r);
    want = (double *)malloc(32 * n);
    got = (double *)malloc(32 * n + 64 * rows);
    back = (double *)malloc(32 * n);
    for (i = 0; i < 2 * n; i++) {
        want[2 * i] = real ? x[i] : x[2 * i];
        want[2 * i + 1] = real ? 0 : x[2 * i + 1];
    }
    for (axis = 0; axis < ndim; axis++) {
        for (outer = 2, i = 0; i < (size_t)axis; i++) outer *= shape[i];
        for (inner = 1, i = (size_t)axis + 1; i < (size_t)ndim; i++) inner *= shape[i];
        roots(shape[axis]);
        for (i = 0; i < outer; i++)
            for (j = 0; j < inner; j++) {
                double *base = want + 2 * (i * shape[axis] * inner + j);
                for (k = 0; k < shape[axis]; k++) memcpy(line + 2 * k, base + 2 * k * inner, 16);
                for (k = 0; k < shape[axis]; k++) definition(shape[axis], line, k, 0, base + 2 * k * inner, base + 2 * k * inner + 1);
            }
    }
    CHECK(nrx_fft_create(&plan, &d) == NRX_OK);
    work = malloc(nrx_fft_workspace_size(plan) + 1);
    CHECK(nrx_fft_forward(plan, x, got, work) == NRX_OK);
    if (real == 2)
        for (k = 0; k < 4 * n; k++) worst = fmax(worst, fabs(got[k] - want[k]));
    else if (real)
        for (i = 0; i < 2 * rows; i++)
            for (k = 0; k < 2 * half; k++) worst = fmax(worst, fabs(got[2 * i * half + k] - want[2 * i * last + k]));
    else
        for (k = 0; k < 4 * n; k++) worst = fmax(worst, fabs(got[k] - want[k]));
    CHECK(worst <= 3e-15 * sqrt((double)n) * 3);
    CHECK(nrx_fft_inverse(plan, got, back, work) == NRX_OK);
    for (worst = 0, k = 0; k < (real ? 2 : 4) * n; k++) worst = fmax(worst, fabs(back[k] - x[k]));
    CHECK(worst <= 2e-15);
    if (!real) {
        memcpy(back, x, 32 * n);
        CHECK(nrx_fft_forward(plan, back, back, NULL) == NRX_OK);
        CHECK(memcmp(back, got, 32 * n) == 0);
    }
    nrx_fft_destroy(plan);
    free(work); free(x); free(want); free(got); free(back);
}

/* Strided batches: the columns of an image, complex and real, against contiguous transforms of copies. */
static void strides(int real, size_t h, size_t w)
{
    nrx_fft_desc d = NRX_ZERO;
    nrx_fft *plan;
    nrx_test_rng r = { 5 };
    size_t c = real ? 1 : 2, half = real == 1 ? h / 2 + 1 : h, i, j;
    double *x = numbers(c * h * w, &r), *y = (double *)malloc(16 * half * w), *one = (double *)malloc(16 * h), *out = (double *)malloc(16 * h + 16);
    double *back = (double *)malloc(16 * h * w), worst = 0;
    d.dtype = NRX_F64;
    d.real = real;
    d.shape[0] = h;
    d.batch = w;
    d.norm = NRX_FFT_ORTHO;
    d.in_stride = d.out_stride = w;
    CHECK(nrx_fft_create(&plan, &d) == NRX_OK);
    CHECK(nrx_fft_forward(plan, x, y, NULL) == NRX_OK);
    CHECK(nrx_fft_inverse(plan, y, back, NULL) == NRX_OK);
    for (j = 0; j < w; j++) {
        for (i = 0; i < h; i++) memcpy(one + c * i, x + c * (i * w + j), 8 * c);
        if (real) nrx_rfft_f64(h, one, out);
        else nrx_fft_f64(0, h, one, out);
        for (i = 0; i < half && i <= h / (real ? 2 : 1) && i < h; i++) worst = fmax(worst, fabs(out[2 * i] / sqrt((double)h) - y[2 * (i * w + j)]) + fabs(out[2 * i + 1] / sqrt((double)h) - y[2 * (i * w + j) + 1]));
    }
    CHECK(worst < 2e-15);
    for (worst = 0, i = 0; i < c * h * w; i++) worst = fmax(worst, fabs(back[i] - x[i]));
    CHECK(worst < 2e-15);
    nrx_fft_destroy(plan);
    free(x); free(y); free(one); free(out); free(back);
}

static nrx_status make(nrx_fft_desc *d, nrx_fft **plan) { return nrx_fft_create(plan, d); }

static void errors(void)
{
    nrx_fft_desc d = NRX_ZERO;
    nrx_fft *plan;
    nrx_test_log_state log = { 0, 0, "" };
    float x[4] = { 1, 2, 3, 4 };
    NRX_TEST_LOG_ENV(d.env, log);
    CHECK(nrx_fft_create(NULL, &d) == NRX_E_ARG);
    CHECK(nrx_fft_create(&plan, NULL) == NRX_E_ARG && plan == NULL);
    CHECK(make(&d, &plan) == NRX_E_ARG && strstr(log.last, "axis 0 has length 0"));
    d.shape[0] = 4; d.ndim = 9;
    CHECK(make(&d, &plan) == NRX_E_ARG && strstr(log.last, "9 axes"));
    d.ndim = -1;
    CHECK(make(&d, &plan) == NRX_E_ARG);
    d.ndim = 1; d.dtype = NRX_I64;
    CHECK(make(&d, &plan) == NRX_E_ARG && strstr(log.last, "dtype 2"));
    d.dtype = NRX_F32; d.norm = 3;
    CHECK(make(&d, &plan) == NRX_E_ARG);
    d.norm = 0; d.shape[0] = (size_t)-1 / 8;
    CHECK(make(&d, &plan) == NRX_E_RANGE);
    d.ndim = 3; d.shape[0] = d.shape[1] = d.shape[2] = (size_t)1 << (sizeof(size_t) * 3);
    CHECK(make(&d, &plan) == NRX_E_RANGE && plan == NULL);
    d.shape[0] = d.shape[1] = d.shape[2] = 4; d.in_stride = 2;
    CHECK(make(&d, &plan) == NRX_E_ARG);
    d.in_stride = 0; d.ndim = 1;
    CHECK(make(&d, &plan) == NRX_OK);
    CHECK(nrx_fft_forward(plan, NULL, x, NULL) == NRX_E_ARG && strstr(log.last, "in is NULL"));
    CHECK(nrx_fft_forward(NULL, x, x, NULL) == NRX_E_ARG);
    nrx_fft_destroy(plan);
    nrx_fft_destroy(NULL);
    CHECK(nrx_fft_workspace_size(NULL) == 0);
    CHECK(nrx_fft_good_size(1000) == 1024 && nrx_fft_good_size(1025) == 1152 && nrx_fft_good_size(0) == 8);
}

static void allocations(void)
{
    static const size_t length[] = { 1, 24, 77, 134 }; /* 134 = 2 * 67: Bluestein twice */
    nrx_test_heap heap;
    nrx_fft_desc d = NRX_ZERO;
    nrx_fft *plan = NULL;
    size_t i;
    for (i = 0; i < 4; i++) {
        d.shape[0] = length[i];
        d.dtype = (int)(i % 2);
        NRX_TEST_EACH_ALLOC(d.env, heap, make(&d, &plan), nrx_fft_destroy(plan));
    }
}

#ifdef NRX_TEST_REPRODUCIBLE
static void checksums(void)
{
    static const size_t length[] = { 16, 30, 64, 77, 134, 1000, 4096 };
    size_t i;
    for (i = 0; i < 7; i++) {
        size_t n = length[i], k;
        nrx_test_rng r = { 4711 };
        double *x = numbers(2 * n, &r);
        float *a = (float *)malloc(8 * n);
        for (k = 0; k < 2 * n; k++) a[k] = (float)x[k];
        CHECK(nrx_fft_f64(0, n, x, x) == NRX_OK && nrx_fft_f32(0, n, a, a) == NRX_OK);
        nrx_test_checksum("fft f64", x, 16 * n);
        nrx_test_checksum("fft f32", a, 8 * n);
        CHECK(nrx_rfft_f64(n, x, x) == NRX_OK);
        nrx_test_checksum("rfft f64", x, 8 * n);
        free(x); free(a);
    }
}
#endif

int main(void)
{
    static const size_t large[] = { 67, 71, 73, 79, 83, 89, 97, 101, 127, 128, 131, 192, 243, 251, 256, 384, 509, 512, 625, 729, 768, 1000,
        1009, 1024, 1536, 2048, 2187, 2401, 3125, 4096, 4620, 4757, 6144, 7919, 8192, 134, 122, 183 };
    static const size_t s1[] = { 12 }, s2[] = { 6, 10 }, s3[] = { 3, 16, 8 }, s4[] = { 2, 5, 1, 24 }, s5[] = { 40, 33 };
    size_t i;
#ifdef NRX_TEST_ALLOC
    allocations();
    return nrx_test_end();
#endif
#ifdef NRX_TEST_REPRODUCIBLE
    checksums();
    return nrx_test_end();
#endif
    for (i = 1; i <= 64; i++) one_length(i);
    for (i = 0; i < sizeof large / sizeof *large; i++) one_length(large[i]);
    paths();
    for (i = 0; i < 3; i++) {
        axes(1, s1, (int)i);
        axes(2, s2, (int)i);
        axes(3, s3, (int)i);
        axes(4, s4, (int)i);
        axes(2, s5, (int)i);
        strides((int)i, 12, 7);
        strides((int)i, 67, 3);
        strides((int)i, 64, 40);
    }
    errors();
    allocations();
    return nrx_test_end();
}
