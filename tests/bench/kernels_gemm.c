/* Matrix products and elementary functions.
   SPDX-License-Identifier: MIT-0 OR Unlicense */
#include "bench.h"
#define NRX_TENSOR_IMPLEMENTATION
#include "nrx_tensor.h"
#include <math.h>

static void bench_gemm_f32(const char *name, int ta, int tb, size_t m, size_t n, size_t k)
{
    float *a, *b, *c;
    size_t i;
    nrx_rng r;
    if (!bench_wanted(name)) return;
    a = (float *)malloc(m * k * sizeof *a);
    b = (float *)malloc(n * k * sizeof *b);
    c = (float *)malloc(m * n * sizeof *c);
    nrx_rng_seed(&r, 1, 0);
    for (i = 0; i < m * k; i++) a[i] = (float)nrx_rng_normal(&r);
    for (i = 0; i < n * k; i++) b[i] = (float)nrx_rng_normal(&r);
    BENCH(name, nrx_gemm_f32(ta, tb, m, n, k, 1, a, ta ? m : k, b, tb ? k : n, 0, c, n));
    free(a); free(b); free(c);
}

static void bench_gemm_f64(const char *name, size_t m, size_t n, size_t k)
{
    double *a, *b, *c;
    size_t i;
    nrx_rng r;
    if (!bench_wanted(name)) return;
    a = (double *)malloc(m * k * sizeof *a);
    b = (double *)malloc(n * k * sizeof *b);
    c = (double *)malloc(m * n * sizeof *c);
    nrx_rng_seed(&r, 1, 0);
    for (i = 0; i < m * k; i++) a[i] = nrx_rng_normal(&r);
    for (i = 0; i < n * k; i++) b[i] = nrx_rng_normal(&r);
    BENCH(name, nrx_gemm_f64(0, 0, m, n, k, 1, a, k, b, n, 0, c, n));
    free(a); free(b); free(c);
}

enum { COUNT = 4096 };
static float x32[COUNT], y32[COUNT];
static double x64[COUNT], y64[COUNT];

/* 4096 values a call; beside each its libm loop */
#define BENCH_MATH(fn, low, high)                                                                        \
    fill(low, high);                                                                                     \
    BENCH("math_" #fn "_f32_4096", nrx_v##fn##_f32(COUNT, x32, y32));                                    \
    BENCH("libm_" #fn "_f32_4096", { size_t i2; for (i2 = 0; i2 < COUNT; i2++) y32[i2] = fn##f(x32[i2]); }); \
    BENCH("math_" #fn "_f64_4096", nrx_v##fn##_f64(COUNT, x64, y64));                                    \
    BENCH("libm_" #fn "_f64_4096", { size_t i2; for (i2 = 0; i2 < COUNT; i2++) y64[i2] = fn(x64[i2]); })

static float sigmoidf(float x) { return 1.0f / (1.0f + expf(-x)); }
static double sigmoid(double x) { return 1.0 / (1.0 + exp(-x)); }
static float softplusf(float x) { return log1pf(expf(x)); }
static double softplus(double x) { return log1p(exp(x)); }

static void fill(double low, double high)
{
    nrx_rng r;
    int i;
    nrx_rng_seed(&r, 2, 0);
    for (i = 0; i < COUNT; i++) x32[i] = (float)(x64[i] = low + (high - low) * nrx_rng_uniform(&r));
}

int main(int argc, char **argv)
{
    BENCH_MAIN(argc, argv);
    bench_gemm_f32("gemm_f32_64", 0, 0, 64, 64, 64);
    bench_gemm_f32("gemm_f32_256", 0, 0, 256, 256, 256);
    bench_gemm_f32("gemm_f32_512", 0, 0, 512, 512, 512);
    bench_gemm_f32("gemm_f32_1024", 0, 0, 1024, 1024, 1024);
    bench_gemm_f64("gemm_f64_512", 512, 512, 512);
    bench_gemm_f64("gemm_f64_64", 64, 64, 64);
    bench_gemm_f32("gemm_f32_512_nt", 0, 1, 512, 512, 512);
    bench_gemm_f32("gemm_f32_512_tn", 1, 0, 512, 512, 512);
    bench_gemm_f32("gemm_f32_100", 0, 0, 100, 100, 100);
    bench_gemm_f32("gemm_f32_16", 0, 0, 16, 16, 16);
    bench_gemm_f32("gemm_f32_1x4096x4096", 0, 0, 1, 4096, 4096);
    bench_gemm_f32("gemm_f32_1x4096x4096_nt", 0, 1, 1, 4096, 4096);
    bench_gemm_f32("gemm_f32_4096x1x4096", 0, 0, 4096, 1, 4096);
    bench_gemm_f32("gemm_f32_8x4096x4096", 0, 0, 8, 4096, 4096);
    bench_gemm_f32("gemm_f32_4096x8x4096", 0, 0, 4096, 8, 4096);
    bench_gemm_f32("gemm_f32_16x4096x4096", 0, 0, 16, 4096, 4096);
    BENCH_MATH(exp, -10, 10);
    BENCH_MATH(expm1, -10, 10);
    BENCH_MATH(log, 0.01, 10);
    BENCH_MATH(log1p, 0.01, 10);
    BENCH_MATH(tanh, -5, 5);
    BENCH_MATH(sigmoid, -10, 10);
    BENCH_MATH(softplus, -10, 10);
    BENCH_MATH(erf, -3, 3);
    BENCH_MATH(sin, -100, 100);
    BENCH_MATH(cos, -100, 100);
    return 0;
}
