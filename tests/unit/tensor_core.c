/* The core block: random numbers, sizes, memory, the log's formatter, finiteness, threads.
   SPDX-License-Identifier: MIT-0 OR Unlicense
   run: alloc threads reproducible fp arch quick */
#define NRX_TEST_POOL
#include "nrx_test.h"
#define NRX_TENSOR_IMPLEMENTATION
#include "nrx_tensor.h"
#include "nrx_test.h"

/* Known-answer vectors of the authors' Random123 distribution (philox 4x32, 10 rounds). */
static void philox_known_answers(void)
{
    static const uint32_t v[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u},
        {0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu,
         0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu},
        {0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xa4093822u, 0x299f31d0u,
         0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u}};
    int i, j;
    for (i = 0; i < 3; i++) {
        uint32_t out[4];
        nrx_philox4x32(v[i], v[i] + 4, out);
        for (j = 0; j < 4; j++) CHECK(out[j] == v[i][6 + j]);
    }
}

static void rng_streams(void)
{
    nrx_rng a, b;
    uint32_t words[12];
    int i;
    nrx_rng_seed(&a, 7, 3);
    for (i = 0; i < 12; i++) words[i] = nrx_rng_u32(&a);
    nrx_rng_seed(&b, 7, 3);
    nrx_rng_seek(&b, 2);
    for (i = 8; i < 12; i++) CHECK(nrx_rng_u32(&b) == words[i]);
    nrx_rng_seed(&b, 7, 4);
    CHECK(nrx_rng_u32(&b) != words[0]);
    CHECK(nrx_rng_below(&b, 0) == 0 && nrx_rng_below(&b, 1) == 0);
    for (i = 0; i < 1000; i++) CHECK(nrx_rng_below(&b, 7) < 7);
    /* the counter carries into its second word */
    nrx_rng_seed(&a, 1, 0);
    nrx_rng_seek(&a, 0xffffffffu);
    for (i = 0; i < 5; i++) words[0] = nrx_rng_u32(&a);
    nrx_rng_seed(&b, 1, 0);
    nrx_rng_seek(&b, 0x100000000u);
    CHECK(nrx_rng_u32(&b) == words[0]);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A million normals: four moments within 4 standard errors, Kolmogorov-Smirnov distance below its 0.1 % point 1.95/sqrt(n). */
static void normals(void)
{
    enum { N = 1000000 };
    static double z[N];
    double m[5] = {0, 0, 0, 0, 0}, worst = 0;
    nrx_rng r;
    int i, k;
    nrx_rng_seed(&r, 12345, 0);
    for (i = 0; i < N; i++) {
        double p = 1;
        z[i] = nrx_rng_normal(&r);
        for (k = 0; k < 5; k++) { m[k] += p / N; p *= z[i]; }
    }
    CHECK_NEAR(m[1], 0, 4 * sqrt(1.0 / N));
    CHECK_NEAR(m[2], 1, 4 * sqrt(2.0 / N));
    CHECK_NEAR(m[3], 0, 4 * sqrt(15.0 / N));
    CHECK_NEAR(m[4], 3, 4 * sqrt(96.0 / N));
    qsort(z, N, sizeof *z, compare_doubles);
    for (i = 0; i < N; i++) {
        double f = 0.5 * erfc(-z[i] / sqrt(2.0)), lo = f - (double)i / N, hi = (double)(i + 1) / N - f;
        if (lo > worst) worst = lo;
        if (hi > worst) worst = hi;
    }
    CHECK(worst < 1.95 / sqrt((double)N));
}

static void uniforms(void)
{
    enum { N = 1000000, BINS = 100 };
    static int count[BINS];
    double chi2 = 0;
    nrx_rng r;
    int i;
    nrx_rng_seed(&r, 99, 1);
    for (i = 0; i < N; i++) {
        double u = nrx_rng_uniform(&r);
        CHECK(u >= 0 && u < 1);
        count[(int)(u * BINS)]++;
    }
    for (i = 0; i < BINS; i++) chi2 += (count[i] - (double)N / BINS) * (count[i] - (double)N / BINS) / ((double)N / BINS);
    CHECK(chi2 > 57.2 && chi2 < 157.0); /* 99 degrees of freedom, 0.02 % tails */
}

/* The generator's own log and sincos against libm. */
static void elementary(void)
{
    nrx_test_rng r = {17};
    int i;
    for (i = 0; i < 200000; i++) {
        double u = nrx_test_uniform(&r), c, s, x = i % 3 ? u : pow(2.0, -53.0 * u);
        CHECK_NEAR(nrxi_rng_log(x), log(x), 4e-16 * fabs(log(x)) + 1e-300);
        nrxi_rng_cos_sin(u, &c, &s);
        CHECK_NEAR(c, cos(2 * NRX_PI * u), 1e-15);
        CHECK_NEAR(s, sin(2 * NRX_PI * u), 1e-15);
    }
    CHECK(nrxi_rng_log(1.0) == 0.0);
}

static void sizes(void)
{
    size_t v = 5, big = (size_t)-1;
    CHECK(nrxi_mul_ok(big, 1, &v) && v == big);
    CHECK(nrxi_mul_ok(0, big, &v) && v == 0);
    CHECK(nrxi_mul_ok(big, 0, &v) && v == 0);
    v = 5;
    CHECK(!nrxi_mul_ok(big / 2 + 1, 2, &v) && v == 5);
    CHECK(nrxi_add_ok(big, 0, &v) && v == big);
    CHECK(!nrxi_add_ok(big, 1, &v));
    CHECK(nrxi_alloc(NULL, big, 2) == NULL);
    CHECK(nrxi_alloc(NULL, big, 1) == NULL);
}

static void memory(void)
{
    nrx_env env = NRX_ZERO;
    nrx_test_heap heap;
    unsigned char *p, *q;
    int i, round;
    memset(&heap, 0, sizeof heap);
    heap.fail_at = -1;
    NRX_TEST_HEAP_ENV(env, heap);
    for (round = 0; round < 2; round++) {
        const nrx_env *e = round ? &env : NULL;
        p = (unsigned char *)nrxi_calloc(e, 100, 1);
        CHECK(p != NULL && ((uintptr_t)p & 63) == 0);
        if (!p) return;
        for (i = 0; i < 100; i++) CHECK(p[i] == 0);
        for (i = 0; i < 100; i++) p[i] = (unsigned char)i;
        q = (unsigned char *)nrxi_realloc(e, p, 100000, 1);
        CHECK(q != NULL && ((uintptr_t)q & 63) == 0);
        if (!q) return;
        for (i = 0; i < 100; i++) CHECK(q[i] == i);
        p = (unsigned char *)nrxi_realloc(e, q, 50, 1);
        CHECK(p != NULL);
        if (!p) return;
        for (i = 0; i < 50; i++) CHECK(p[i] == i);
        nrxi_free(e, p);
        nrxi_free(e, NULL);
        p = (unsigned char *)nrxi_alloc(e, 0, 8);
        CHECK(p != NULL);
        nrxi_free(e, p);
    }
    CHECK(heap.live == 0 && !heap.wrong_size);
}

static void log_lines(void)
{
    nrx_env env = NRX_ZERO;
    nrx_test_log_state log = {0, 0, ""};
    static const double v[] = {0, 1, -1, 0.001, 123456, 1234567, 3.14159265, 1e-9, -2.5e300, 99999.95, 5e-324, 100000, 0.1};
    static const char *g[] = {"0", "1", "-1", "0.001", "123456", "1.23457e6", "3.14159", "1e-9", "-2.5e300", "100000", "4.94066e-324",
                              "100000", "0.1"};
    double inf = HUGE_VAL;
    char long_text[1000];
    int i;
    NRX_TEST_LOG_ENV(env, log);
    CHECK(nrxi_fail(&env, NRX_E_SHAPE, "f: %s %d %zu %c%%", "x", -7, (size_t)42, 'q') == NRX_E_SHAPE);
    CHECK(strcmp(log.last, "f: x -7 42 q%") == 0 && log.status == NRX_E_SHAPE);
    for (i = 0; i < (int)(sizeof v / sizeof *v); i++) {
        nrxi_fail(&env, NRX_E_ARG, "%g", v[i]);
        CHECK(strcmp(log.last, g[i]) == 0);
    }
    nrxi_fail(&env, NRX_E_ARG, "%g %g %g", inf, -inf, inf - inf);
    CHECK(strcmp(log.last, "inf -inf nan") == 0);
    nrxi_fail(&env, NRX_E_ARG, "%ld", -2147483647L - 1L);
    CHECK(strcmp(log.last, "-2147483648") == 0);
    memset(long_text, 'a', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = 0;
    nrxi_fail(&env, NRX_E_ARG, "%s", long_text);
    CHECK(strlen(log.last) == 399);
    for (i = 0; i >= -10; i--) CHECK(strcmp(nrx_status_string((nrx_status)i), "unknown status") != 0);
    CHECK(strcmp(nrx_status_string((nrx_status)-99), "unknown status") == 0);
}

static void finiteness(void)
{
    double d[3] = {1, 2, 3}, zero = 0.0;
    float f[3] = {1, 2, 3};
    uint64_t nan64 = 0x7ff8000000000000u, inf64 = 0xfff0000000000000u;
    uint32_t nan32 = 0x7fc00000u, inf32 = 0xff800000u;
    CHECK_ALWAYS(nrxi_all_finite(d, 3, NRX_F64) && nrxi_all_finite(f, 3, NRX_F32) && nrxi_all_finite(&zero, 1, NRX_F64));
    memcpy(d + 1, &nan64, 8);
    memcpy(f + 1, &nan32, 4);
    CHECK_ALWAYS(!nrxi_all_finite(d, 3, NRX_F64) && !nrxi_all_finite(f, 3, NRX_F32));
    memcpy(d + 1, &inf64, 8);
    memcpy(f + 1, &inf32, 4);
    CHECK_ALWAYS(!nrxi_finite_f64(d + 1) && !nrxi_finite_f32(f + 1));
    CHECK_ALWAYS(nrxi_all_finite(d, 1, NRX_F64) && nrxi_all_finite(d, 0, NRX_F64));
}

static void square_chunk(void *arg, size_t chunk) { ((double *)arg)[chunk] = (double)chunk * (double)chunk; }

static void threads(void)
{
    double out[100];
    nrx_env env = NRX_ZERO;
    int i, workers;
    NRX_TEST_POOL_ENV(env, workers);
    memset(out, 0, sizeof out);
    nrxi_parallel(&env, 100, square_chunk, out);
    for (i = 0; i < 100; i++) CHECK(out[i] == (double)i * i);
    nrx_test_checksum("parallel", out, sizeof out);
    nrxi_parallel(&env, 0, square_chunk, out);
}

static nrx_status two_blocks(const nrx_env *env)
{
    void *a = nrxi_alloc(env, 10, 8), *b = nrxi_alloc(env, 10, 8);
    nrx_status status = a && b ? NRX_OK : NRX_E_NOMEM;
    nrxi_free(env, a);
    nrxi_free(env, b);
    return status;
}

static void each_allocation(void)
{
    nrx_env env = NRX_ZERO;
    nrx_test_heap heap;
    NRX_TEST_EACH_ALLOC(env, heap, two_blocks(&env), (void)0);
}

static void reproducible(void)
{
    double z[1000];
    nrx_rng r;
    int i;
    nrx_rng_seed(&r, 5, 6);
    for (i = 0; i < 1000; i++) z[i] = nrx_rng_normal(&r);
    nrx_test_checksum("normals", z, sizeof z);
}

int main(void)
{
#if defined(NRX_TEST_ALLOC)
    each_allocation();
#elif defined(NRX_TEST_THREADS)
    threads();
#elif defined(NRX_TEST_REPRODUCIBLE)
    reproducible();
#else
    philox_known_answers();
    rng_streams();
    uniforms();
    normals();
    elementary();
    sizes();
    memory();
    log_lines();
    finiteness();
    threads();
    each_allocation();
    reproducible();
#endif
    return nrx_test_end();
}
