/* The elementary functions on arrays: special values, errors on a sample (all values: tests/long/math_ulp.c), place in the array.
   SPDX-License-Identifier: MIT-0 OR Unlicense
   run: reproducible fp arch */
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
#define NRX_TENSOR_IMPLEMENTATION
#include "nrx_tensor.h"
#include "nrx_test.h"
#include <float.h>
#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD > 0
#define EXCESS 1 /* results are rounded twice */
#else
#define EXCESS 0
#endif

static long double exact_sigmoid(long double x) { return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x)); }
static long double exact_softplus(long double x) { return (x > 0 ? x : 0) + log1pl(expl(-fabsl(x))); }

typedef struct {
    const char *name;
    nrx_status (*f32)(size_t n, const float *x, float *y);
    nrx_status (*f64)(size_t n, const double *x, double *y);
    long double (*exact)(long double);
    double ulp32, ulp64;      /* as documented */
    int low, high;            /* binades to sample */
    double special[7];        /* f at -infinity, -1, -0, 0, 1e-310 (f64 only), infinity, -1e30 */
} function;

/* codes for values that some compilers do not take as constants */
enum { ANY = 99, NOT = 98, INF = 97 };

static const function all[] = {
    {"exp", nrx_vexp_f32, nrx_vexp_f64, expl, 0.80, 0.80, -30, 9, {0, ANY, 1, 1, 1, INF, 0}},
    {"expm1", nrx_vexpm1_f32, nrx_vexpm1_f64, expm1l, 0.95, 1.1, -30, 9, {-1, ANY, -0.0, 0, 1e-310, INF, -1}},
    {"log", nrx_vlog_f32, nrx_vlog_f64, logl, 0.85, 0.8, -140, 127, {NOT, NOT, -INF, -INF, ANY, INF, NOT}},
    {"log1p", nrx_vlog1p_f32, nrx_vlog1p_f64, log1pl, 0.92, 0.8, -40, 127, {NOT, -INF, -0.0, 0, 1e-310, INF, NOT}},
    {"tanh", nrx_vtanh_f32, nrx_vtanh_f64, tanhl, 1.36, 1.4, -30, 5, {-1, ANY, -0.0, 0, 1e-310, 1, -1}},
    {"sigmoid", nrx_vsigmoid_f32, nrx_vsigmoid_f64, exact_sigmoid, 1.98, 1.7, -30, 9, {0, ANY, 0.5, 0.5, 0.5, 1, 0}},
    {"softplus", nrx_vsoftplus_f32, nrx_vsoftplus_f64, exact_softplus, 1.62, 1.5, -30, 9, {0, ANY, ANY, ANY, ANY, INF, 0}},
    {"erf", nrx_verf_f32, nrx_verf_f64, erfl, 1.35, 1.2, -30, 3, {-1, ANY, -0.0, 0, ANY, 1, -1}},
    {"sin", nrx_vsin_f32, nrx_vsin_f64, sinl, 0.51, 0.85, -30, 127, {NOT, ANY, -0.0, 0, 1e-310, NOT, ANY}},
    {"cos", nrx_vcos_f32, nrx_vcos_f64, cosl, 0.51, 0.85, -30, 127, {NOT, ANY, 1, 1, 1, NOT, ANY}}};
enum { FUNCTIONS = sizeof all / sizeof all[0], COUNT = 20000 };

static int same(double a, double code)
{
    if (code == NOT) return isnan(a);
    if (fabs(code) == INF) return isinf(a) && (a > 0) == (code > 0);
    return a == code && signbit(a) == signbit(code);
}

static void specials(const function *f)
{
    double at[8] = {0, -1, -0.0, 0, 1e-310, 0, -1e30, 0}, y[8], x[8];
    float yf[8], xf[8];
    int i;
    at[0] = -INFINITY;
    at[5] = INFINITY;
    at[7] = NAN;
    for (i = 0; i < 8; i++) xf[i] = (float)(x[i] = at[i]);
    CHECK_ALWAYS(f->f64(8, x, y) == NRX_OK && f->f32(8, xf, yf) == NRX_OK);
    CHECK(isnan(y[7]) && isnan(yf[7]));
    for (i = 0; i < 7; i++) {
        int fine = f->special[i] == ANY || (same(y[i], f->special[i]) && (i == 4 || same((double)yf[i], f->special[i])));
        CHECK(fine);
#if !defined(NRX_TEST_FAST_MATH)
        if (!fine) printf("  %s(%g) gave %g and %g, not %g\n", f->name, at[i], y[i], (double)yf[i], f->special[i]);
#endif
    }
}

static double ulps(double got, long double want, int digits, int least)
{
    int e;
    if (want == 0) return got == 0 ? 0 : 1e9;
    frexpl(want, &e);
    return (double)(fabsl((long double)got - want) / ldexpl(1, (e < least ? least : e) - digits));
}

/* Equally many arguments in each binade, both signs; arguments whose exact value is not a normal number of the type are left to the sweep. */
static void sample(const function *f)
{
    static double x[COUNT], y[COUNT];
    static float xf[COUNT], yf[COUNT];
    nrx_test_rng r = {11};
    double worst32 = 0, worst64 = 0, allowed = (LDBL_MANT_DIG >= 64 ? 0 : 0.6) + (EXCESS ? 0.3 : 0);
    int i;
    for (i = 0; i < COUNT; i++) {
        x[i] = ldexp(1 + nrx_test_uniform(&r), f->low + i % (f->high - f->low + 1));
        if (nrx_test_uniform(&r) < 0.5) x[i] = -x[i];
        if (x[i] > 3e38 || x[i] < -3e38) x[i] = 3e38;
        xf[i] = (float)x[i];
    }
    x[0] = -3.4528653797927582; /* where a sigmoid that loses the rounding error of 1 + e is off by 2.2 ulp */
    CHECK_ALWAYS(f->f64(COUNT, x, y) == NRX_OK && f->f32(COUNT, xf, yf) == NRX_OK);
    for (i = 0; i < COUNT; i++) {
        long double want = f->exact((long double)x[i]), wantf = f->exact((long double)xf[i]);
        if (want != want) { CHECK(isnan(y[i])); continue; }
        if (fabsl(want) < 1e308L && fabsl(want) > 1e-307L) worst64 = fmax(worst64, ulps(y[i], want, 53, -1021));
        if (fabsl(wantf) < 3e38L) worst32 = fmax(worst32, ulps((double)yf[i], wantf, 24, -125));
    }
    CHECK(worst32 <= f->ulp32 + allowed);
    CHECK(worst64 <= f->ulp64 + allowed);
#if !defined(NRX_TEST_FAST_MATH)
    if (!(worst32 <= f->ulp32 + allowed && worst64 <= f->ulp64 + allowed)) printf("  %s: %g and %g ulp\n", f->name, worst32, worst64);
#endif
}

/* A value does not depend on its place, y may be x, and nothing is written beyond n. */
static void places(const function *f)
{
    double x[70], y[70], one[71];
    float xf[70], yf[70], onef[71];
    size_t n, i, differ = 0;
    for (i = 0; i < 70; i++) xf[i] = (float)(x[i] = (double)i * 0.37 - 9.1);
    x[13] = 1e22; xf[13] = 1e22f;
    f->f64(70, x, y);
    f->f32(70, xf, yf);
    for (n = 0; n <= 70; n++) {
        for (i = 0; i < 71; i++) onef[i] = (float)(one[i] = i < n ? x[70 - n + i] : 5);
        for (i = 0; i < n; i++) onef[i] = xf[70 - n + i];
        f->f64(n, one, one);
        f->f32(n, onef, onef);
        differ += memcmp(one, y + 70 - n, n * 8) != 0;
        differ += memcmp(onef, yf + 70 - n, n * 4) != 0;
        differ += one[n] != 5 || onef[n] != 5;
    }
    CHECK(differ == 0);
    CHECK_ALWAYS(f->f64(0, NULL, NULL) == NRX_OK && f->f32(0, NULL, NULL) == NRX_OK);
    CHECK_ALWAYS(f->f64(1, NULL, y) == NRX_E_ARG && f->f32(1, xf, NULL) == NRX_E_ARG);
}

/* Results near the ends of the range. */
static void edges(void)
{
    static const double x[8] = {709.782712893384, 709.7827128933841, -708.5, -744.0, -745.1332191019411, -745.1332191019412, 710.5, -1e9};
    static const float xf[6] = {88.72283f, 88.72284f, -87.5f, -103.97207f, -103.97209f, -1e9f};
    double y[8];
    float yf[6];
    nrx_vexp_f64(8, x, y);
    nrx_vexp_f32(6, xf, yf);
    CHECK(y[0] > 1.797e308 && y[0] <= DBL_MAX && isinf(y[1]) && isinf(y[6]) && y[5] == 0 && y[7] == 0);
    CHECK(y[4] == 4.9406564584124654e-324 || EXCESS);
    CHECK(fabs(y[3] / 9.8813129168249309e-324 - 1) <= 0.5 && y[2] > 0);
    CHECK(yf[0] > 3.4e38f && yf[0] <= FLT_MAX && isinf(yf[1]) && yf[4] == 0 && yf[5] == 0);
    CHECK(yf[3] == 1.401298464e-45f || EXCESS);
    CHECK(fabs((double)yf[2] / exp(-87.5) - 1) < 3e-7);
}

static void checksums(void)
{
    static double x[COUNT], y[COUNT];
    static float xf[COUNT], yf[COUNT];
    nrx_test_rng r = {21};
    int i, k;
    for (k = 0; k < FUNCTIONS; k++) {
        const function *f = &all[k];
        for (i = 0; i < COUNT; i++) {
            x[i] = ldexp(1 + nrx_test_uniform(&r), f->low + i % (f->high - f->low + 1));
            if (nrx_test_uniform(&r) < 0.5 && x[i] < 1e30 && strncmp(f->name, "log", 3) != 0) x[i] = -x[i];
            if (x[i] > 3e38) x[i] = 3e38;
            xf[i] = (float)x[i];
        }
        f->f64(COUNT, x, y);
        f->f32(COUNT, xf, yf);
        nrx_test_checksum(f->name, y, sizeof y);
        nrx_test_checksum(f->name, yf, sizeof yf);
    }
}

static void everything(void)
{
    int k;
    for (k = 0; k < FUNCTIONS; k++) {
        specials(&all[k]);
        sample(&all[k]);
        places(&all[k]);
    }
    edges();
}

int main(void)
{
#if defined(NRX_TEST_REPRODUCIBLE)
    checksums();
    (void)everything;
#else
    (void)checksums;
#if defined(NRXI_X86)
    for (test_level = 0; test_level < 2; test_level++) everything();
#endif
    everything();
#endif
    return nrx_test_end();
}
