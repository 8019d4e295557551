/* nrx_test.h - what every test program of nrx shares
   SPDX-License-Identifier: MIT-0 OR Unlicense

   A unit test is one C99 file tests/unit/HEADER_TOPIC.c that includes this file first, then its headers with their
   implementation macro, and ends with `return nrx_test_end();`. It prints failures only, then one line with its counts.

   A directive comment in the first ten lines, for example   run: alloc threads reproducible   adds groups of tests/run.sh:
     alloc         built with -DNRX_TEST_ALLOC and run under AddressSanitizer: use NRX_TEST_EACH_ALLOC on whole calls
     threads       run with 1, 2, 7 workers (pthread hook of NRX_TEST_POOL_ENV, then OpenMP, then ThreadSanitizer):
                   every line printed by nrx_test_checksum must be the same
     fp            built with -ffast-math too (all tests: without contraction and SIMD, and with all of the machine's)
     arch          run on emulated processors too, with NRX_TEST_FEW in the environment where the full count takes minutes
     reproducible  built with -DNRX_REPRODUCIBLE by all compilers at all levels: checksum lines must be the same
   A program that is built for one of these groups sees NRX_TEST_ALLOC, NRX_TEST_THREADS or NRX_TEST_REPRODUCIBLE and
   should then only do that group's work. Under NRX_TEST_FAST_MATH only CHECK_ALWAYS counts: the promise there is that
   things build, that non-finite input is noticed and that nothing crashes. */
#ifndef NRX_TEST_H
#define NRX_TEST_H
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static long nrx_test_checks, nrx_test_failures;

#if defined(__GNUC__)
#define NRX_TEST_FN __attribute__((unused)) static
#else
#define NRX_TEST_FN static
#endif

NRX_TEST_FN void nrx_test_report(int ok, const char *file, int line, const char *what)
{
    nrx_test_checks++;
    if (ok) return;
    nrx_test_failures++;
    if (nrx_test_failures <= 25) printf("%s:%d: failed: %s\n", file, line, what);
}

/* |a - b| <= tol, and neither is NaN. */
NRX_TEST_FN void nrx_test_near(double a, double b, double tol, const char *file, int line, const char *what)
{
    char text[400];
    int ok = fabs(a - b) <= tol;
    if (!ok) snprintf(text, sizeof text, "%s: %.17g against %.17g, off by %.3g, allowed %.3g", what, a, b, fabs(a - b), tol);
    nrx_test_report(ok, file, line, ok ? what : text);
}

#define CHECK_ALWAYS(cond) nrx_test_report((cond) ? 1 : 0, __FILE__, __LINE__, #cond)
#if defined(NRX_TEST_FAST_MATH)
#define CHECK(cond) ((void)(cond))
#define CHECK_NEAR(a, b, tol) ((void)(a), (void)(b), (void)(tol))
#define CHECK_REL(a, b, tol) ((void)(a), (void)(b), (void)(tol))
#else
#define CHECK(cond) CHECK_ALWAYS(cond)
#define CHECK_NEAR(a, b, tol) nrx_test_near((double)(a), (double)(b), (double)(tol), __FILE__, __LINE__, #a " == " #b)
#define CHECK_REL(a, b, tol) /* relative to the second */ \
    nrx_test_near((double)(a), (double)(b), (double)(tol) * fabs((double)(b)), __FILE__, __LINE__, #a " == " #b)
#endif

/* Last statement of main: prints the counts, gives the exit code. A program without a check fails. */
NRX_TEST_FN int nrx_test_end(void)
{
    printf("%ld checks, %ld failed\n", nrx_test_checks, nrx_test_failures);
    return nrx_test_failures != 0 || nrx_test_checks == 0;
}

NRX_TEST_FN double nrx_test_seconds(void)
{
#ifdef TIME_UTC
    struct timespec t;
    if (timespec_get(&t, TIME_UTC) == TIME_UTC) return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
#endif
    return (double)clock() / CLOCKS_PER_SEC;
}

/* Prints "checksum NAME HEX" (FNV-1a over the bytes) for the groups that compare runs, and counts as a check. */
NRX_TEST_FN void nrx_test_checksum(const char *name, const void *data, size_t bytes)
{
    const unsigned char *p = (const unsigned char *)data;
    uint64_t h = 14695981039346656037u;
    size_t i;
    for (i = 0; i < bytes; i++) h = (h ^ p[i]) * 1099511628211u;
    printf("checksum %s %016llx\n", name, (unsigned long long)h);
    nrx_test_checks++;
}

/* A small generator of its own, so that test data do not come from the code under test: xorshift64*. */
typedef struct { uint64_t s; } nrx_test_rng;
NRX_TEST_FN double nrx_test_uniform(nrx_test_rng *r) /* (0, 1) */
{
    r->s ^= r->s >> 12;
    r->s ^= r->s << 25;
    r->s ^= r->s >> 27;
    return ((double)((r->s * 2685821657736338717u) >> 12) + 0.5) / 4503599627370496.0;
}
NRX_TEST_FN double nrx_test_signed(nrx_test_rng *r) { return 2.0 * nrx_test_uniform(r) - 1.0; }
NRX_TEST_FN size_t nrx_test_below(nrx_test_rng *r, size_t n) { return (size_t)(nrx_test_uniform(r) * (double)n); }

/* ---- an allocator that fails on demand ---- */

typedef struct {
    long calls;      /* allocations and growths asked for */
    long fail_at;    /* this call (0-based) and all later ones fail; negative = never */
    long live;       /* blocks not yet freed */
    int  wrong_size; /* the library passed an old size that was not the block's */
} nrx_test_heap;

NRX_TEST_FN void *nrx_test_alloc(void *user, void *ptr, size_t old_size, size_t new_size)
{
    nrx_test_heap *heap = (nrx_test_heap *)user;
    unsigned char *p = (unsigned char *)ptr;
    size_t was = 0;
    if (p) {
        memcpy(&was, p - 16, sizeof was);
        if (was != old_size) heap->wrong_size = 1;
    }
    if (new_size == 0) {
        if (p) { heap->live--; free(p - 16); }
        return NULL;
    }
    if (heap->fail_at >= 0 && heap->calls++ >= heap->fail_at) return NULL;
    if (heap->fail_at < 0) heap->calls++;
    p = (unsigned char *)realloc(p ? p - 16 : NULL, new_size + 16);
    if (!p) return NULL;
    memcpy(p, &new_size, sizeof new_size);
    if (!ptr) heap->live++;
    return p + 16;
}

#define NRX_TEST_HEAP_ENV(env, heap)          \
    do {                                      \
        (env).alloc = nrx_test_alloc;         \
        (env).alloc_user = &(heap);           \
    } while (0)

/* Runs `call` (an expression giving nrx_status, using `env`, cleaning up after itself on success through `cleanup`) once for
   each allocation it makes, failing that one: the status must be NRX_E_NOMEM and no block may stay alive. */
#define NRX_TEST_EACH_ALLOC(env, heap, call, cleanup)                                     \
    do {                                                                                  \
        long nrx_k_;                                                                      \
        for (nrx_k_ = 0; nrx_k_ < 100000; nrx_k_++) {                                     \
            int nrx_st_;                                                                  \
            memset(&(heap), 0, sizeof(heap));                                             \
            (heap).fail_at = nrx_k_;                                                      \
            NRX_TEST_HEAP_ENV(env, heap);                                                 \
            nrx_st_ = (int)(call);                                                        \
            if (nrx_st_ == 0) {                                                           \
                cleanup;                                                                  \
                CHECK_ALWAYS((heap).live == 0);                                           \
                CHECK_ALWAYS(!(heap).wrong_size);                                         \
                break;                                                                    \
            }                                                                             \
            CHECK_ALWAYS(nrx_st_ == -1);                                                  \
            CHECK_ALWAYS((heap).live == 0);                                               \
        }                                                                                 \
        CHECK_ALWAYS(nrx_k_ > 0);                                                         \
    } while (0)

/* ---- a log that remembers ---- */

typedef struct { int lines, status; char last[400]; } nrx_test_log_state;
#define NRX_TEST_LOG_ENV(env, state)          \
    do {                                      \
        (env).log = nrx_test_log;             \
        (env).log_user = &(state);            \
    } while (0)

#ifdef NRX_TEST_POOL /* define before including this file to have the pthread pool (link with -lpthread) */
#include <pthread.h>
typedef struct {
    size_t next, chunks;
    void (*job)(void *arg, size_t chunk);
    void *arg;
    pthread_mutex_t lock;
} nrx_test_batch;

NRX_TEST_FN void *nrx_test_worker(void *p)
{
    nrx_test_batch *b = (nrx_test_batch *)p;
    for (;;) {
        size_t c;
        pthread_mutex_lock(&b->lock);
        c = b->next++;
        pthread_mutex_unlock(&b->lock);
        if (c >= b->chunks) return NULL;
        b->job(b->arg, b->chunks - 1 - c); /* last first: the order must not matter */
    }
}

/* The hook: user points to an int, the number of workers. */
NRX_TEST_FN void nrx_test_parallel_for(void *user, size_t chunks, void (*job)(void *arg, size_t chunk), void *arg)
{
    pthread_t thread[16];
    int i, n = *(const int *)user, started = 0;
    nrx_test_batch b;
    b.next = 0; b.chunks = chunks; b.job = job; b.arg = arg;
    pthread_mutex_init(&b.lock, NULL);
    for (i = 1; i < n && i < 16; i++) if (pthread_create(&thread[started], NULL, nrx_test_worker, &b) == 0) started++;
    nrx_test_worker(&b);
    for (i = 0; i < started; i++) pthread_join(thread[i], NULL);
    pthread_mutex_destroy(&b.lock);
}

/* Puts the hook into env when the variable NRX_TEST_WORKERS names a number of workers; *workers must outlive env. */
#define NRX_TEST_POOL_ENV(env, workers)                                                         \
    do {                                                                                        \
        (workers) = getenv("NRX_TEST_WORKERS") ? atoi(getenv("NRX_TEST_WORKERS")) : 0;          \
        if ((workers) > 0) { (env).parallel_for = nrx_test_parallel_for; (env).parallel_user = &(workers); } \
    } while (0)
#endif

#endif /* NRX_TEST_H */

/* Needs nrx_status, so this part works once a header has been included; include nrx_test.h again after the headers. */
#if defined(NRX_CORE_VERSION) && !defined(NRX_TEST_LOG_)
#define NRX_TEST_LOG_
NRX_TEST_FN void nrx_test_log(void *user, nrx_status status, const char *line)
{
    nrx_test_log_state *s = (nrx_test_log_state *)user;
    s->lines++;
    s->status = (int)status;
    strncpy(s->last, line, sizeof s->last - 1);
    s->last[sizeof s->last - 1] = 0;
}
#endif

#if defined(NRX_TEST_DENSE) && defined(NRX_CORE_VERSION) && !defined(NRX_TEST_DENSE_)
#define NRX_TEST_DENSE_
/* Define NRX_TEST_DENSE to have: a dense matrix as an operator and the l1 norm as a functional, in either precision. */
typedef struct { size_t rows, cols; int dtype; const double *a; int calls, fail_at; } dense;

NRX_TEST_FN double get(int dtype, const void *x, size_t i) { return dtype == NRX_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i]; }
NRX_TEST_FN void put(int dtype, void *x, size_t i, double v)
{
    if (dtype == NRX_F32) ((float *)x)[i] = (float)v;
    else ((double *)x)[i] = v;
}
NRX_TEST_FN nrx_status dense_apply(void *user, const void *x, void *y)
{
    dense *d = (dense *)user;
    size_t i, j;
    if (d->fail_at && ++d->calls >= d->fail_at) return NRX_E_IO;
    for (i = 0; i < d->rows; i++) {
        double s = 0;
        for (j = 0; j < d->cols; j++) s += d->a[i * d->cols + j] * get(d->dtype, x, j);
        put(d->dtype, y, i, s);
    }
    return NRX_OK;
}
NRX_TEST_FN nrx_status dense_adjoint(void *user, const void *y, void *x)
{
    dense *d = (dense *)user;
    size_t i, j;
    for (j = 0; j < d->cols; j++) {
        double s = 0;
        for (i = 0; i < d->rows; i++) s += d->a[i * d->cols + j] * get(d->dtype, y, i);
        put(d->dtype, x, j, s);
    }
    return NRX_OK;
}
NRX_TEST_FN nrx_linop dense_op(dense *d, size_t rows, size_t cols, int dtype, const double *a)
{
    nrx_linop op = NRX_ZERO;
    memset(d, 0, sizeof *d);
    d->rows = rows; d->cols = cols; d->dtype = dtype; d->a = a;
    op.apply = dense_apply; op.adjoint = dense_adjoint; op.user = d; op.rows = rows; op.cols = cols; op.dtype = dtype;
    return op;
}

typedef struct { size_t n; int dtype; double weight; const double *b; } plain; /* weight |x|_1 */
NRX_TEST_FN nrx_status l1_eval(void *user, const void *x, double *value, void *grad)
{
    plain *p = (plain *)user;
    size_t i;
    (void)grad;
    for (*value = 0, i = 0; i < p->n; i++) *value += p->weight * fabs(get(p->dtype, x, i));
    return NRX_OK;
}
NRX_TEST_FN nrx_status l1_prox(void *user, double tau, const void *v, void *x)
{
    plain *p = (plain *)user;
    size_t i;
    for (i = 0; i < p->n; i++) {
        double u = get(p->dtype, v, i), m = fabs(u) - tau * p->weight;
        put(p->dtype, x, i, m > 0 ? (u > 0 ? m : -m) : 0);
    }
    return NRX_OK;
}
#endif
