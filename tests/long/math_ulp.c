/* Errors of the array functions in units in the last place, against long double (64 or more bits) functions of the C library.
   SPDX-License-Identifier: MIT-0 OR Unlicense

   f32: every one of the 2^32 arguments (or each STEP-th); f64: COUNT arguments, equally many per binade of the range where the
   function is neither constant nor overflowing, both signs. The f32 oracle is double arithmetic, off by less than 1e-7 f32 ulp.
     math_ulp [STEP [COUNT [NAME]]]   default 1, 100000000 and all functions; one line per function; fails above 2 ulp
   One ulp is the distance of the neighbours of the type at the exact value (the smallest subnormal below the normal range). */
#include "../nrx_test.h"
#define NRX_TENSOR_IMPLEMENTATION
#include "nrx_tensor.h"
#include <float.h>

enum { BLOCK = 4096 };
static const double stated = 2.0; /* ulp, for every function */

static double d_sigmoid(double x) { return x < 0 ? exp(x) / (1.0 + exp(x)) : 1.0 / (1.0 + exp(-x)); }
static double d_softplus(double x) { return (x > 0 ? x : 0.0) + log1p(exp(-fabs(x))); }
static long double l_sigmoid(long double x) { return x < 0 ? expl(x) / (1.0L + expl(x)) : 1.0L / (1.0L + expl(-x)); }
static long double l_softplus(long double x) { return (x > 0 ? x : 0.0L) + log1pl(expl(-fabsl(x))); }

/* What a function is, to far better than an f32 ulp, for |x| < 2^-30 (near) and |x| > 110 (far): that spares most library calls. */
enum { CALL, ONE, HALF, SAME, UP, MINUS_ONE_UP, SIGN, STEP, RAMP };

typedef struct {
    const char *name;
    void (*f32)(size_t n, const float *x, float *y);
    void (*f64)(size_t n, const double *x, double *y);
    double (*d)(double);
    long double (*l)(long double);
    int low, high;             /* binades of f64 arguments */
    int near, far;             /* f32: the exact value is known below 2^-30 and above 110: see known() */
    int parity;                /* 1 even, -1 odd, 0 neither: the negative half is then compared with the positive one bit by bit */
    double worst32, worst64, at32, at64;
} function;

static function all[] = {
    {"exp", nrxi_vexp_f32, nrxi_vexp_f64, exp, expl, -60, 9, ONE, UP, 0, 0, 0, 0, 0},
    {"expm1", nrxi_vexpm1_f32, nrxi_vexpm1_f64, expm1, expm1l, -60, 9, SAME, MINUS_ONE_UP, 0, 0, 0, 0, 0},
    {"log", nrxi_vlog_f32, nrxi_vlog_f64, log, logl, -1074, 1023, CALL, CALL, 0, 0, 0, 0, 0},
    {"log1p", nrxi_vlog1p_f32, nrxi_vlog1p_f64, log1p, log1pl, -70, 1023, SAME, CALL, 0, 0, 0, 0, 0},
    {"tanh", nrxi_vtanh_f32, nrxi_vtanh_f64, tanh, tanhl, -40, 5, SAME, SIGN, -1, 0, 0, 0, 0},
    {"sigmoid", nrxi_vsigmoid_f32, nrxi_vsigmoid_f64, d_sigmoid, l_sigmoid, -60, 9, HALF, STEP, 0, 0, 0, 0, 0},
    {"softplus", nrxi_vsoftplus_f32, nrxi_vsoftplus_f64, d_softplus, l_softplus, -60, 9, CALL, RAMP, 0, 0, 0, 0, 0},
    {"erf", nrxi_verf_f32, nrxi_verf_f64, erf, erfl, -40, 3, CALL, SIGN, -1, 0, 0, 0, 0},
    {"sin", nrxi_vsin_f32, nrxi_vsin_f64, sin, sinl, -40, 1023, SAME, CALL, -1, 0, 0, 0, 0},
    {"cos", nrxi_vcos_f32, nrxi_vcos_f64, cos, cosl, -40, 1023, ONE, CALL, 1, 0, 0, 0, 0}};

/* frexp and ldexp by bits, for normal numbers: the sweep over all f32 values spends its time here otherwise. */
static int exponent(double x)
{
    uint64_t u;
    memcpy(&u, &x, 8);
    return (int)(u >> 52 & 0x7ff) - 1022;
}
static double power_of_two(int e)
{
    uint64_t u = (uint64_t)(e + 1023) << 52;
    double x;
    memcpy(&x, &u, 8);
    return x;
}

static double error32(float got, double want)
{
    int e;
    double limit = 3.4028235677973366e38; /* halfway above FLT_MAX: rounds to infinity */
    if (want != want) return got != got ? 0.0 : 1e9;
    if (got != got) return 1e9;
    if (fabs(want) >= limit) return isinf(got) && (got > 0) == (want > 0) ? 0.0 : fabs((double)got - copysign(limit, want)) / 2e31;
    if (isinf(got)) return fabs(fabs(want) - limit) / 2.02824096e31 < 2.0 && (got > 0) == (want > 0) ? 2.0 : 1e9;
    if (want == 0) return got == 0 && !signbit(got) == !signbit(want) ? 0.0 : 1e9;
    e = exponent(want);
    return fabs((double)got - want) * power_of_two(24 - (e < -125 ? -125 : e));
}

static double error64(double got, long double want)
{
    int e;
    if (want != want) return got != got ? 0.0 : 1e9;
    if (got != got) return 1e9;
    if (fabsl(want) > (long double)DBL_MAX) return isinf(got) && (got > 0) == (want > 0) ? 0.0 : 1.0;
    if (isinf(got)) return 1e9;
    if (want == 0) return got == 0 && !signbit(got) == !signbit(want) ? 0.0 : 1e9;
    frexpl(want, &e);
    return (double)(fabsl((long double)got - want) / ldexpl(1.0L, (e < -1021 ? -1021 : e) - 53));
}

static double known(const function *f, double x)
{
    int what = fabs(x) < 0x1p-30 ? f->near : fabs(x) > 110 ? f->far : CALL;
    switch (what) {
    case ONE: return 1;
    case HALF: return 0.5;
    case SAME: return x;
    case UP: return x > 0 ? INFINITY : 0;
    case MINUS_ONE_UP: return x > 0 ? INFINITY : -1;
    case SIGN: return x > 0 ? 1 : -1;
    case STEP: return x > 0 ? 1 : 0;
    case RAMP: return x > 0 ? x : 0;
    default: return f->d(x);
    }
}

static void sweep_f32(function *f, uint64_t step)
{
    static float x[BLOCK], y[BLOCK], z[BLOCK];
    uint64_t u = 0, end = f->parity ? 0x80000000u : 0x100000000u;
    while (u < end) {
        size_t n = 0, i;
        for (; n < BLOCK && u < end; u += step, n++) {
            uint32_t bits = (uint32_t)u;
            memcpy(&x[n], &bits, 4);
        }
        f->f32(n, x, y);
        for (i = 0; i < n; i++) {
            double e = error32(y[i], known(f, (double)x[i]));
            if (e > f->worst32) { f->worst32 = e; f->at32 = (double)x[i]; }
        }
        if (f->parity) {
            for (i = 0; i < n; i++) x[i] = -x[i];
            f->f32(n, x, z);
            for (i = 0; i < n; i++) z[i] = f->parity < 0 ? -z[i] : z[i];
            for (i = 0; i < n; i++) if (z[i] == z[i] && memcmp(&y[i], &z[i], sizeof z[i]) != 0) f->worst32 = 1e9;
        }
    }
}

static void sweep_f64(function *f, uint64_t count)
{
    static double x[BLOCK], y[BLOCK];
    uint64_t binades = (uint64_t)(f->high - f->low + 1), done;
    nrx_test_rng r = {0x9e3779b97f4a7c15u};
    for (done = 0; done < count; done += BLOCK) {
        size_t i;
        for (i = 0; i < BLOCK; i++) {
            x[i] = ldexp(1.0 + nrx_test_uniform(&r), f->low + (int)((done + i) % binades));
            if (nrx_test_uniform(&r) < 0.5) x[i] = -x[i];
        }
        f->f64(BLOCK, x, y);
        for (i = 0; i < BLOCK; i++) {
            double e = error64(y[i], f->l((long double)x[i]));
            if (e > f->worst64) { f->worst64 = e; f->at64 = x[i]; }
        }
    }
}

int main(int argc, char **argv)
{
    uint64_t step = argc > 1 ? strtoull(argv[1], NULL, 0) : 1, count = argc > 2 ? strtoull(argv[2], NULL, 0) : 100000000;
    const char *only = argc > 3 ? argv[3] : "";
    size_t i;
    printf("%-9s %12s %16s %12s %24s\n", "function", "f32 ulp", "at", "f64 ulp", "at");
    for (i = 0; i < sizeof all / sizeof all[0]; i++) {
        function *f = &all[i];
        if (*only && strcmp(only, f->name) != 0) continue;
        sweep_f32(f, step ? step : 1);
        if (LDBL_MANT_DIG >= 64) sweep_f64(f, count);
        printf("%-9s %12.4f %16.9g %12.4f %24.17g\n", f->name, f->worst32, f->at32, f->worst64, f->at64);
        fflush(stdout);
        CHECK(f->worst32 <= stated);
        CHECK(f->worst64 <= stated);
    }
    return nrx_test_end();
}
