/* nrx_tensor.h - v0.1.0 - tensors with autodiff of any order, and the numeric kernels under every nrx header
   SPDX-License-Identifier: MIT-0 OR Unlicense

   DO THIS in one .c or .cpp file of your program (and include the header plainly elsewhere):
       #define NRX_TENSOR_IMPLEMENTATION
       #include "nrx_tensor.h"

   A COMPLETE PROGRAM   cc -O2 example.c -lm
 * >>> example
 *  #define NRX_TENSOR_IMPLEMENTATION
 *  #include "nrx_tensor.h"
 *  #include <stdio.h>
 *  int main(void)
 *  {
 *      nrx_rng r;
 *      nrx_rng_seed(&r, 2026, 0);
 *      printf("nrx %s: a normal number is %.6f\n", nrx_t_version(), nrx_rng_normal(&r));
 *      return 0;
 *  }
 * <<< example
*/
#if defined(NRX_STATIC) && defined(NRX_LINKAGE_) && NRX_LINKAGE_ != 1
#error "NRX_STATIC must be defined before the first nrx include of this translation unit"
#endif
#ifndef NRX_TENSOR_H
#define NRX_TENSOR_H
/* >>> nrx core (declarations) */
#ifndef NRX_CORE_VERSION
#define NRX_CORE_VERSION 2048975794
/* Carried by every nrx header, identical to the byte. Linkage, status codes, the four doors, environment, random numbers. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(NRX_STATIC)
#define NRX_LINKAGE_ 1
#else
#define NRX_LINKAGE_ 2
#endif
#if (defined(__GNUC__) || defined(__clang__)) && !defined(__TINYC__)
#define NRXI_UNUSED __attribute__((unused))
#else
#define NRXI_UNUSED
#endif
#if defined(NRX_STATIC)
#undef NRX_DEF
#define NRX_DEF NRXI_UNUSED static
#elif !defined(NRX_DEF)
#define NRX_DEF extern
#endif
#define NRX_INLINE NRXI_UNUSED static inline
#define NRXI_FN NRXI_UNUSED static /* private function of an implementation part */

#if defined(__cplusplus)
#define NRX_ZERO {}  /* zero-initialises any struct: nrx_env env = NRX_ZERO; */
#else
#define NRX_ZERO {0} /* zero-initialises any struct: nrx_env env = NRX_ZERO; */
#endif
#if defined(__GNUC__) || defined(__clang__) || defined(_MSC_VER)
#define NRX_RESTRICT __restrict
#elif !defined(__cplusplus) && !defined(__TINYC__)
#define NRX_RESTRICT restrict
#else
#define NRX_RESTRICT
#endif
#define NRX_PI 3.14159265358979323846

/* NRX_REPRODUCIBLE: the same bits on every platform and compiler for the documented set of functions. */
#if defined(NRX_REPRODUCIBLE)
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ > 0)
#error "NRX_REPRODUCIBLE cannot hold under -ffast-math or -ffinite-math-only"
#endif
#if defined(NRX_USE_CBLAS)
#error "NRX_REPRODUCIBLE cannot hold with NRX_USE_CBLAS"
#endif
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0
#error "NRX_REPRODUCIBLE needs arithmetic without excess precision (on 32-bit x86: -msse2 -mfpmath=sse)"
#endif
#if defined(__clang__)
#define NRXI_IMPL_BEGIN _Pragma("STDC FP_CONTRACT OFF")
#define NRXI_IMPL_END
#elif defined(__GNUC__) && !defined(__TINYC__)
#define NRXI_IMPL_BEGIN _Pragma("GCC push_options") _Pragma("GCC optimize(\"fp-contract=off\")")
#define NRXI_IMPL_END _Pragma("GCC pop_options")
#endif
#endif
#if !defined(NRXI_IMPL_BEGIN)
#define NRXI_IMPL_BEGIN
#define NRXI_IMPL_END
#endif

/* SIMD by GCC vector extensions: NRXI_VEC says they may be used, NRXI_X86 that wider x86 sets may be chosen at run time.
   (GCC on Windows is left out: it does not align the stack for 32-byte spills.) */
#if !defined(NRX_NO_SIMD) && !defined(NRX_REPRODUCIBLE) && (defined(__GNUC__) || defined(__clang__)) && !defined(__TINYC__)
#define NRXI_VEC 1
#define NRXI_VTYPE_(name, elem, bytes)                       \
    typedef elem name __attribute__((vector_size(bytes)));   \
    typedef elem name##u __attribute__((vector_size(bytes), aligned(sizeof(elem)), may_alias));
NRXI_VTYPE_(nrxi_f32x4, float, 16)   /* nrxi_f32x4 for values, nrxi_f32x4u for unaligned loads and stores */
NRXI_VTYPE_(nrxi_f64x2, double, 16)
NRXI_VTYPE_(nrxi_i32x4, int32_t, 16)
NRXI_VTYPE_(nrxi_f32x8, float, 32)
NRXI_VTYPE_(nrxi_f64x4, double, 32)
NRXI_VTYPE_(nrxi_i32x8, int32_t, 32)
NRXI_VTYPE_(nrxi_i64x4, int64_t, 32)
NRXI_VTYPE_(nrxi_f32x16, float, 64)
NRXI_VTYPE_(nrxi_f64x8, double, 64)
NRXI_VTYPE_(nrxi_i32x16, int32_t, 64)
NRXI_VTYPE_(nrxi_i64x8, int64_t, 64)
#if (defined(__x86_64__) || defined(__i386__)) && !(defined(__MINGW32__) && !defined(__clang__))
#define NRXI_X86 1
#define NRXI_AVX2 __attribute__((target("avx2,fma")))
#define NRXI_AVX512 __attribute__((target("avx512f,avx512dq,avx512vl,avx2,fma")))
#define nrxi_cpu_avx2() (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#define nrxi_cpu_avx512() \
    (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
#endif
#endif

/* Status codes. Every function that can fail returns one; NRX_OK is 0, errors are negative. */
#define NRX_STATUS_LIST(X)                                                                        \
    X(NRX_OK, 0, "ok")                                                                            \
    X(NRX_E_NOMEM, -1, "out of memory")                                                           \
    X(NRX_E_ARG, -2, "bad argument")                                                              \
    X(NRX_E_SHAPE, -3, "shapes do not match")                                                     \
    X(NRX_E_RANGE, -4, "size overflow or value out of range")                                     \
    X(NRX_E_STATE, -5, "object is not in the state this call needs")                              \
    X(NRX_E_IO, -6, "file could not be read or written")                                          \
    X(NRX_E_FORMAT, -7, "malformed or unknown file content")                                      \
    X(NRX_E_NUMERIC, -8, "singular, not finite or broken down")                                   \
    X(NRX_E_UNSUPPORTED, -9, "not supported")                                                     \
    X(NRX_E_CANCELLED, -10, "cancelled by the progress callback")
typedef enum nrx_status {
#define NRX_X_(name, value, text) name = value,
    NRX_STATUS_LIST(NRX_X_)
#undef NRX_X_
    NRX_STATUS_FORCE_INT_ = 0x7fffffff
} nrx_status;

/* One sentence for a status; never NULL. */
NRX_INLINE const char *nrx_status_string(nrx_status status)
{
    switch (status) {
#define NRX_X_(name, value, text) case name: return text;
    NRX_STATUS_LIST(NRX_X_)
#undef NRX_X_
    case NRX_STATUS_FORCE_INT_: break;
    }
    return "unknown status";
}

enum { NRX_F32 = 0, NRX_F64 = 1, NRX_I64 = 2 };                 /* dtype: element types of arrays */
enum { NRX_CONVEX = 1, NRX_WEAKLY_CONVEX = 2 };                 /* nrx_functional.convexity; 0 = unknown */
enum { NRX_FREE = 0,          /* nrx_param.constraint: none                                              */
       NRX_NONNEGATIVE = 1,   /* every entry >= 0                                                        */
       NRX_ZERO_MEAN = 2,     /* every row sums to zero                                                  */
       NRX_UNIT_NORM = 3,     /* every row has Euclidean norm <= 1                                       */
       NRX_UNIT_SPECTRAL = 4  /* the matrix has spectral norm <= 1                                       */ };

/* ---- the four doors through which nrx headers, and your code, meet ---- */

typedef struct nrx_linop {              /* A: R^cols -> R^rows */
    nrx_status (*apply)(void *user, const void *x, void *y);     /* y = A x;   overwrites y, never aliases */
    nrx_status (*adjoint)(void *user, const void *y, void *x);   /* x = A^T y; overwrites x, never aliases */
    void  *user;
    size_t rows, cols;
    int    dtype;                       /* NRX_F32 or NRX_F64: element type of x and y */
    double norm;                        /* proven upper bound of ||A||; 0 = unknown */
} nrx_linop;

typedef struct nrx_functional {         /* f: R^n -> R */
    nrx_status (*eval)(void *user, const void *x, double *value, void *grad);   /* either output may be NULL */
    nrx_status (*prox)(void *user, double tau, const void *v, void *x);         /* argmin f(x) + |x-v|^2/(2 tau); x may be v; NULL = none */
    void  *user;
    size_t n;
    int    dtype;                       /* NRX_F32 or NRX_F64: element type of x, v and grad */
    int    convexity;                   /* 0 unknown, NRX_CONVEX, NRX_WEAKLY_CONVEX */
    double lip;                         /* Lipschitz constant of the gradient; 0 = unknown */
    double mu;                          /* strong convexity modulus, >= 0 */
    double rho;                         /* f + rho/2 |x|^2 is convex, >= 0 */
} nrx_functional;

typedef struct nrx_param {              /* one block of parameters, rows x cols, row-major */
    const char *name;
    void  *value, *grad;
    size_t rows, cols;
    int    dtype, constraint;           /* NRX_F32 or NRX_F64; NRX_FREE, NRX_NONNEGATIVE, ... */
} nrx_param;

typedef struct nrx_vfield {             /* dy/dt = f(t, y) */
    nrx_status (*f)(void *user, double t, const double *y, double *dydt);
    nrx_status (*jac)(void *user, double t, const double *y, double *J);   /* n x n row-major; NULL = none */
    void  *user;
    size_t n;
} nrx_vfield;

/* Progress of anything that can take more than a second: `done` of `total` units, `value` is what the call documents
   (objective, loss, time). A non-zero return cancels the call at its next safe point. */
typedef int (*nrx_progress_fn)(void *user, size_t done, size_t total, double value);

/* What a descriptor's `env` says about its surroundings. All zero = the defaults: NRX_MALLOC/NRX_FREE, NRX_LOG, OpenMP when
   the compiler was told to use it (else one thread), no progress. The hooks must stay valid as long as the object made with them. */
typedef struct nrx_env {
    /* One-function allocator: ptr NULL allocates new_size bytes, new_size 0 frees, else resizes. NULL = failure, ptr stays valid. */
    void *(*alloc)(void *user, void *ptr, size_t old_size, size_t new_size);
    void *alloc_user;
    /* One line of text without a newline for each error. */
    void (*log)(void *user, nrx_status status, const char *line);
    void *log_user;
    /* Runs job(arg, c) once for each c in 0 .. chunks-1, in any order, on any threads, and returns after all. */
    void (*parallel_for)(void *user, size_t chunks, void (*job)(void *arg, size_t chunk), void *arg);
    void *parallel_user;
    nrx_progress_fn progress;
    void *progress_user;
} nrx_env;

/* ---- random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) ----
   A counter-based generator: block i of stream s under seed k is a pure function of (k, s, i), the same on every machine. */

NRXI_IMPL_BEGIN

typedef struct nrx_rng {
    uint32_t key[2], ctr[4], out[4];
    int      left;        /* unused words in out */
    int      has_normal;  /* a second normal is stored */
    double   normal;
} nrx_rng;

/* out = ten Philox rounds of ctr under key; out may be ctr. */
NRX_INLINE void nrx_philox4x32(const uint32_t ctr[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = ctr[0], c1 = ctr[1], c2 = ctr[2], c3 = ctr[3], k0 = key[0], k1 = key[1];
    int round;
    for (round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)(p1 & 0xffffffffu);
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)(p0 & 0xffffffffu);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0; out[1] = c1; out[2] = c2; out[3] = c3;
}

/* Starts stream `stream` of `seed`. Different streams of one seed never overlap (each has 2^64 blocks of four words). */
NRX_INLINE void nrx_rng_seed(nrx_rng *r, uint64_t seed, uint64_t stream)
{
    memset(r, 0, sizeof *r);
    r->key[0] = (uint32_t)(seed & 0xffffffffu);
    r->key[1] = (uint32_t)(seed >> 32);
    r->ctr[2] = (uint32_t)(stream & 0xffffffffu);
    r->ctr[3] = (uint32_t)(stream >> 32);
}

/* Jumps to block `block` of the stream; each block holds four 32-bit words. */
NRX_INLINE void nrx_rng_seek(nrx_rng *r, uint64_t block)
{
    r->ctr[0] = (uint32_t)(block & 0xffffffffu);
    r->ctr[1] = (uint32_t)(block >> 32);
    r->left = r->has_normal = 0;
}

/* 32 uniform bits. */
NRX_INLINE uint32_t nrx_rng_u32(nrx_rng *r)
{
    if (r->left == 0) {
        nrx_philox4x32(r->ctr, r->key, r->out);
        if (++r->ctr[0] == 0) ++r->ctr[1];
        r->left = 4;
    }
    return r->out[4 - r->left--];
}

/* 64 uniform bits: the first word is the low half. */
NRX_INLINE uint64_t nrx_rng_u64(nrx_rng *r)
{
    uint64_t low = nrx_rng_u32(r);
    return low | ((uint64_t)nrx_rng_u32(r) << 32);
}

/* Uniform in [0, 1) on multiples of 2^-53. */
NRX_INLINE double nrx_rng_uniform(nrx_rng *r)
{
    return (double)(nrx_rng_u64(r) >> 11) * (1.0 / 9007199254740992.0);
}

/* Uniform integer in 0 .. n-1 without bias; n = 0 gives 0. */
NRX_INLINE uint64_t nrx_rng_below(nrx_rng *r, uint64_t n)
{
    uint64_t x, reject;
    if (n == 0) return 0;
    reject = ((uint64_t)0 - n) % n; /* 2^64 mod n */
    do x = nrx_rng_u64(r); while (x < reject);
    return x % n;
}

/* log on (0, 1] for the normals, from + - * / alone so that every platform gives the same bits; error below 2 ulp. */
NRX_INLINE double nrxi_rng_log(double x)
{
    uint64_t bits;
    int64_t e;
    double m, s, z, p;
    memcpy(&bits, &x, 8);
    e = (int64_t)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffffULL) | 0x3ff0000000000000ULL;
    memcpy(&m, &bits, 8);
    if (m > 1.4142135623730951) { m *= 0.5; e++; }
    s = (m - 1.0) / (m + 1.0);
    z = s * s;
    p = 1.0 / 23.0;
    p = p * z + 1.0 / 21.0; p = p * z + 1.0 / 19.0; p = p * z + 1.0 / 17.0; p = p * z + 1.0 / 15.0;
    p = p * z + 1.0 / 13.0; p = p * z + 1.0 / 11.0; p = p * z + 1.0 / 9.0;  p = p * z + 1.0 / 7.0;
    p = p * z + 1.0 / 5.0;  p = p * z + 1.0 / 3.0;
    return (double)e * 0.69314718055994530942 + (2.0 * s + 2.0 * s * z * p);
}

/* cos and sin of 2 pi u, u in [0, 1), likewise: the nearest quarter turn is taken off, Taylor series do the rest. */
NRX_INLINE void nrxi_rng_cos_sin(double u, double *c, double *s)
{
    int quarter = (int)(4.0 * u + 0.5);
    double x = (u - 0.25 * (double)quarter) * 6.28318530717958647693, z = x * x, co, si;
    co = 1.0 - z / 2.0 * (1.0 - z / 12.0 * (1.0 - z / 30.0 * (1.0 - z / 56.0 * (1.0 - z / 90.0 * (1.0 - z / 132.0
       * (1.0 - z / 182.0 * (1.0 - z / 240.0)))))));
    si = x * (1.0 - z / 6.0 * (1.0 - z / 20.0 * (1.0 - z / 42.0 * (1.0 - z / 72.0 * (1.0 - z / 110.0 * (1.0 - z / 156.0
       * (1.0 - z / 210.0)))))));
    switch (quarter & 3) {
    case 0:  *c = co;  *s = si;  break;
    case 1:  *c = -si; *s = co;  break;
    case 2:  *c = -co; *s = -si; break;
    default: *c = si;  *s = -co; break;
    }
}

/* Standard normal by Box and Muller: of each pair first the cosine, then the sine branch. */
NRX_INLINE double nrx_rng_normal(nrx_rng *r)
{
    double radius, c, s;
    if (r->has_normal) { r->has_normal = 0; return r->normal; }
    radius = sqrt(-2.0 * nrxi_rng_log(1.0 - nrx_rng_uniform(r)));
    nrxi_rng_cos_sin(nrx_rng_uniform(r), &c, &s);
    r->normal = radius * s;
    r->has_normal = 1;
    return radius * c;
}

NRXI_IMPL_END
#elif NRX_CORE_VERSION != 2048975794
#error "nrx: headers with different versions of the core block are mixed in one translation unit"
#endif
/* <<< nrx core (declarations) */
/* >>> nrx files (declarations) */
#ifndef NRX_FILES_VERSION
#define NRX_FILES_VERSION 4250914062
#elif NRX_FILES_VERSION != 4250914062
#error "nrx: headers with different versions of the files block are mixed in one translation unit"
#endif
/* <<< nrx files (declarations) */
#ifdef __cplusplus
extern "C" {
#endif

#define NRX_TENSOR_VERSION "0.1.0"

/* Version of the implementation that was linked, "major.minor.patch". */
NRX_DEF const char *nrx_t_version(void);

/* ==== kernels on raw arrays: math and gemm ==== */

/* ==== kernels on raw arrays: fft, linalg, files ==== */

/* ==== tensors ==== */

#ifdef __cplusplus
}
#endif
#endif /* NRX_TENSOR_H */

#if (defined(NRX_TENSOR_IMPLEMENTATION) || defined(NRX_IMPLEMENTATION) || defined(NRX_STATIC)) && !defined(NRX_TENSOR_IMPL_DONE_)
#define NRX_TENSOR_IMPL_DONE_
/* >>> nrx core (implementation) */
#ifndef NRXI_CORE_VERSION
#define NRXI_CORE_VERSION 4263832547
#include <float.h>
#include <stdarg.h>
#include <stdlib.h>
#if defined(NRX_MALLOC) && defined(NRX_REALLOC) && defined(NRX_FREE)
#elif !defined(NRX_MALLOC) && !defined(NRX_REALLOC) && !defined(NRX_FREE)
#define NRX_MALLOC(size) malloc(size)
#define NRX_REALLOC(ptr, size) realloc(ptr, size)
#define NRX_FREE(ptr) free(ptr)
#else
#error "define all or none of NRX_MALLOC, NRX_REALLOC and NRX_FREE"
#endif
#if !defined(NRX_LOG)
#if defined(NRX_VERBOSE) && !defined(NRX_NO_STDIO)
#include <stdio.h>
#define NRX_LOG(line) ((void)fprintf(stderr, "%s\n", line))
#else
#define NRX_LOG(line) ((void)(line))
#endif
#endif

/* *out = a*b or a+b; 0 when that overflows. */
NRXI_FN int nrxi_mul_ok(size_t a, size_t b, size_t *out)
{
    if (b != 0 && a > (size_t)-1 / b) return 0;
    *out = a * b;
    return 1;
}
NRXI_FN int nrxi_add_ok(size_t a, size_t b, size_t *out)
{
    if (a > (size_t)-1 - b) return 0;
    *out = a + b;
    return 1;
}

NRXI_FN size_t nrxi_dtype_size(int dtype) { return dtype == NRX_F32 ? 4u : 8u; }

/* -- memory: 64-byte aligned blocks over the allocator of env; what the raw allocator gave stands just before each block -- */

typedef struct nrxi_block { unsigned char *raw; size_t total; } nrxi_block;

NRXI_FN void *nrxi_place(unsigned char *raw, size_t total)
{
    nrxi_block head;
    size_t offset = sizeof head;
    offset += (64u - (size_t)((uintptr_t)(raw + offset) & 63u)) & 63u;
    head.raw = raw;
    head.total = total;
    memcpy(raw + offset - sizeof head, &head, sizeof head);
    return raw + offset;
}

/* count * size bytes, aligned to 64; NULL on overflow or failure. Zero bytes give a valid pointer. */
NRXI_FN void *nrxi_alloc(const nrx_env *env, size_t count, size_t size)
{
    size_t bytes, total;
    void *raw;
    if (!nrxi_mul_ok(count, size, &bytes) || !nrxi_add_ok(bytes, sizeof(nrxi_block) + 63u, &total)) return NULL;
    if (env && env->alloc) raw = env->alloc(env->alloc_user, NULL, 0, total);
    else raw = NRX_MALLOC(total);
    return raw ? nrxi_place((unsigned char *)raw, total) : NULL;
}

NRXI_FN void *nrxi_calloc(const nrx_env *env, size_t count, size_t size)
{
    void *p = nrxi_alloc(env, count, size);
    if (p) memset(p, 0, count * size);
    return p;
}

NRXI_FN void nrxi_free(const nrx_env *env, void *p)
{
    nrxi_block head;
    if (!p) return;
    memcpy(&head, (unsigned char *)p - sizeof head, sizeof head);
    if (env && env->alloc) (void)env->alloc(env->alloc_user, head.raw, head.total, 0);
    else NRX_FREE(head.raw);
}

/* Resizes a block of nrxi_alloc (or NULL) and keeps its content; NULL on failure, p stays valid. */
NRXI_FN void *nrxi_realloc(const nrx_env *env, void *p, size_t count, size_t size)
{
    nrxi_block head;
    size_t bytes, total, before, after, keep;
    unsigned char *raw, *q;
    if (!p) return nrxi_alloc(env, count, size);
    memcpy(&head, (unsigned char *)p - sizeof head, sizeof head);
    if (!nrxi_mul_ok(count, size, &bytes) || !nrxi_add_ok(bytes, sizeof head + 63u, &total)) return NULL;
    before = (size_t)((unsigned char *)p - head.raw);
    keep = head.total - before < bytes ? head.total - before : bytes;
    if (env && env->alloc) raw = (unsigned char *)env->alloc(env->alloc_user, head.raw, head.total, total);
    else raw = (unsigned char *)NRX_REALLOC(head.raw, total);
    if (!raw) return NULL;
    after = sizeof head + ((64u - (size_t)((uintptr_t)(raw + sizeof head) & 63u)) & 63u);
    q = raw + after;
    if (after != before) memmove(q, raw + before, keep);
    return nrxi_place(raw, total);
}

/* -- one line of text for the log: %s %c %d %ld %zu %g; the same with and without stdio, and in every locale -- */

typedef struct nrxi_text { char *at, *end; } nrxi_text;

NRXI_FN void nrxi_put(nrxi_text *t, char c) { if (t->at < t->end) *t->at++ = c; }

NRXI_FN void nrxi_put_string(nrxi_text *t, const char *s)
{
    if (!s) s = "(null)";
    while (*s) nrxi_put(t, *s++);
}

NRXI_FN void nrxi_put_unsigned(nrxi_text *t, uint64_t v)
{
    char digits[24];
    int n = 0;
    do digits[n++] = (char)('0' + (int)(v % 10u)); while (v /= 10u);
    while (n) nrxi_put(t, digits[--n]);
}

NRXI_FN void nrxi_put_signed(nrxi_text *t, int64_t v)
{
    if (v < 0) nrxi_put(t, '-');
    nrxi_put_unsigned(t, v < 0 ? (uint64_t)0 - (uint64_t)v : (uint64_t)v);
}

/* Six significant digits as %g shows them. */
NRXI_FN void nrxi_put_double(nrxi_text *t, double v)
{
    uint64_t bits, digits;
    int e = 0, i, kept = 6;
    char d[6];
    memcpy(&bits, &v, 8);
    if ((bits >> 52 & 0x7ff) == 0x7ff) { nrxi_put_string(t, bits << 12 ? "nan" : bits >> 63 ? "-inf" : "inf"); return; }
    if (bits >> 63) { nrxi_put(t, '-'); v = -v; }
    if (v == 0.0) { nrxi_put(t, '0'); return; }
    while (v >= 1e6) { v /= 10.0; e++; }
    while (v < 1e5) { v *= 10.0; e--; }
    digits = (uint64_t)(v + 0.5);
    if (digits >= 1000000u) { digits /= 10u; e++; }
    for (i = 5; i >= 0; i--) { d[i] = (char)('0' + (int)(digits % 10u)); digits /= 10u; }
    e += 5; /* value = d[0].d[1]... * 10^e */
    while (kept > 1 && d[kept - 1] == '0') kept--;
    if (e < -5 || e > 5) {
        nrxi_put(t, d[0]);
        if (kept > 1) nrxi_put(t, '.');
        for (i = 1; i < kept; i++) nrxi_put(t, d[i]);
        nrxi_put(t, 'e');
        nrxi_put_signed(t, e);
        return;
    }
    if (e < 0) {
        nrxi_put_string(t, "0.");
        for (i = -1; i > e; i--) nrxi_put(t, '0');
        for (i = 0; i < kept; i++) nrxi_put(t, d[i]);
        return;
    }
    for (i = 0; i <= e; i++) nrxi_put(t, d[i]);
    if (kept > e + 1) nrxi_put(t, '.');
    for (i = e + 1; i < kept; i++) nrxi_put(t, d[i]);
}

NRXI_FN void nrxi_format(char *line, size_t size, const char *fmt, va_list args)
{
    nrxi_text t;
    t.at = line;
    t.end = line + size - 1;
    for (; *fmt; fmt++) {
        if (*fmt != '%') { nrxi_put(&t, *fmt); continue; }
        switch (*++fmt) {
        case 's': nrxi_put_string(&t, va_arg(args, const char *)); break;
        case 'c': nrxi_put(&t, (char)va_arg(args, int)); break;
        case 'd': nrxi_put_signed(&t, va_arg(args, int)); break;
        case 'g': nrxi_put_double(&t, va_arg(args, double)); break;
        case 'l': fmt++; nrxi_put_signed(&t, va_arg(args, long)); break;
        case 'z': fmt++; nrxi_put_unsigned(&t, va_arg(args, size_t)); break;
        case '%': nrxi_put(&t, '%'); break;
        default: nrxi_put(&t, '?'); fmt--; break;
        }
    }
    *t.at = 0;
}

/* Logs one line ("nrx_ct_project: image 128x127, geometry expects 128x128") and returns the status. */
#if (defined(__GNUC__) || defined(__clang__)) && !defined(__TINYC__) && !defined(__MINGW32__)
__attribute__((format(printf, 3, 4)))
#endif
NRXI_FN nrx_status nrxi_fail(const nrx_env *env, nrx_status status, const char *fmt, ...)
{
    char line[400];
    va_list args;
    va_start(args, fmt);
    nrxi_format(line, sizeof line, fmt, args);
    va_end(args);
    if (env && env->log) env->log(env->log_user, status, line);
    else NRX_LOG(line);
    return status;
}

/* -- finiteness on copied bits: -ffast-math cannot fold it away -- */

NRXI_FN int nrxi_finite_f32(const float *x)
{
    uint32_t bits;
    memcpy(&bits, x, 4);
    return (bits & 0x7f800000u) != 0x7f800000u;
}
NRXI_FN int nrxi_finite_f64(const double *x)
{
    uint64_t bits;
    memcpy(&bits, x, 8);
    return (bits >> 52 & 0x7ffu) != 0x7ffu;
}
NRXI_FN int nrxi_all_finite(const void *x, size_t n, int dtype)
{
    size_t i, bad = 0;
    if (dtype == NRX_F32) for (i = 0; i < n; i++) bad += !nrxi_finite_f32((const float *)x + i);
    else if (dtype == NRX_F64) for (i = 0; i < n; i++) bad += !nrxi_finite_f64((const double *)x + i);
    return bad == 0;
}

/* -- threads: the caller's pool, else OpenMP, else a loop. Chunks depend on the problem only, so results do not on threads. -- */

NRXI_FN void nrxi_parallel(const nrx_env *env, size_t chunks, void (*job)(void *arg, size_t chunk), void *arg)
{
    size_t c;
    if (env && env->parallel_for && chunks > 1) {
        env->parallel_for(env->parallel_user, chunks, job, arg);
        return;
    }
#if defined(_OPENMP)
    if (chunks > 1) {
        ptrdiff_t i, n = (ptrdiff_t)chunks;
#pragma omp parallel for schedule(dynamic, 1)
        for (i = 0; i < n; i++) job(arg, (size_t)i);
        return;
    }
#endif
    for (c = 0; c < chunks; c++) job(arg, c);
}

/* Non-zero when the caller's progress callback cancels. */
NRXI_FN int nrxi_progress(const nrx_env *env, size_t done, size_t total, double value)
{
    return env && env->progress ? env->progress(env->progress_user, done, total, value) : 0;
}
#elif NRXI_CORE_VERSION != 4263832547
#error "nrx: headers with different versions of the core block are mixed in one translation unit"
#endif
/* <<< nrx core (implementation) */
NRXI_IMPL_BEGIN
/* >>> nrx math (implementation) */
#ifndef NRXI_MATH_VERSION
#define NRXI_MATH_VERSION 1966117288
#elif NRXI_MATH_VERSION != 1966117288
#error "nrx: headers with different versions of the math block are mixed in one translation unit"
#endif
/* <<< nrx math (implementation) */
/* >>> nrx gemm (implementation) */
#ifndef NRXI_GEMM_VERSION
#define NRXI_GEMM_VERSION 476511731
#elif NRXI_GEMM_VERSION != 476511731
#error "nrx: headers with different versions of the gemm block are mixed in one translation unit"
#endif
/* <<< nrx gemm (implementation) */
/* >>> nrx fft (implementation) */
#ifndef NRXI_FFT_VERSION
#define NRXI_FFT_VERSION 718827425
#elif NRXI_FFT_VERSION != 718827425
#error "nrx: headers with different versions of the fft block are mixed in one translation unit"
#endif
/* <<< nrx fft (implementation) */
/* >>> nrx linalg (implementation) */
#ifndef NRXI_LINALG_VERSION
#define NRXI_LINALG_VERSION 220186854
#elif NRXI_LINALG_VERSION != 220186854
#error "nrx: headers with different versions of the linalg block are mixed in one translation unit"
#endif
/* <<< nrx linalg (implementation) */
/* >>> nrx files (implementation) */
#ifndef NRXI_FILES_VERSION
#define NRXI_FILES_VERSION 740106954
#elif NRXI_FILES_VERSION != 740106954
#error "nrx: headers with different versions of the files block are mixed in one translation unit"
#endif
/* <<< nrx files (implementation) */
NRXI_IMPL_END

NRXI_IMPL_BEGIN

/* ==== kernels on raw arrays: math and gemm ==== */

/* ==== kernels on raw arrays: fft, linalg, files ==== */

/* ==== tensors ==== */

NRX_DEF const char *nrx_t_version(void) { return NRX_TENSOR_VERSION; }

NRXI_IMPL_END
#endif /* implementation */

/* ---- recent history ----
   0.1.0  first version

   ---- licence: your choice of ----
   MIT-0. Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
   documentation files, to deal in the software without restriction, including without limitation the rights to use, copy,
   modify, merge, publish, distribute, sublicense and/or sell copies of it. The software is provided "as is", without warranty
   of any kind, express or implied; in no event shall the authors be liable for any claim, damages or other liability.
   Public domain (unlicense.org). This is free and unencumbered software released into the public domain.
*/
