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
 *  int main(void) // fits a line: w x + b to 3 x - 1 by gradient descent
 *  {
 *      nrx_scope *s = nrx_t_scope_open(NULL);
 *      nrx_tensor *x = nrx_t_linspace(s, NRX_F32, -1, 1, 50), *y = nrx_t_affine(x, 3, -1);
 *      nrx_tensor *w = nrx_t_require_grad(nrx_t_scalar(s, NRX_F32, 0), 1);
 *      nrx_tensor *b = nrx_t_require_grad(nrx_t_scalar(s, NRX_F32, 0), 1), *p[2], *g[2];
 *      p[0] = w; p[1] = b;
 *      for (int step = 0; step < 200; step++) {
 *          nrx_t_begin(s);
 *          nrx_t_grad(nrx_t_mse(nrx_t_add(nrx_t_mul(w, x), b), y), p, 2, g);
 *          for (int k = 0; k < 2; k++) nrx_t_add_scaled(p[k], -0.3, g[k]);
 *          nrx_t_end(s, NULL); // frees all of this step
 *      }
 *      printf("w = %.4f, b = %.4f %s\n", nrx_t_item(w), nrx_t_item(b), nrx_t_error(s));
 *      nrx_t_scope_close(s);
 *      return 0;
 *  }
 * <<< example

   WHAT IT DOES
   f32 and f64 tensors of up to eight axes with strides, views and broadcasting; element-wise functions,
 reductions, sorting, indexing, matmul, einsum, convolutions and their transposes, pooling, resize,
 grid_sample, FFT, dense linear algebra; reverse mode whose gradients are tensors with gradients again,
 Jacobian- and Hessian-vector products, checkpoints, custom operations; .npy and .npz. On raw arrays: gemm,
 FFT, factorizations, elementary functions. WHAT IT DOES NOT No GPU, no f16, no complex dtype (complex numbers
 are a last axis of two), no implicit change of dtype.

   CONVENTIONS  Row-major, contiguous unless a stride says otherwise. Axes count from 0, or from the end when
 negative. MEMORY       A scope owns its tensors, recycles their memory and gives all back in
 nrx_t_scope_close. ERRORS       Operators return NULL, others a status; the scope keeps the first error and
 its line (nrx_t_status, nrx_t_error); each error is one line through env.log or NRX_LOG. NULL passes through
 operators. THREADS      One thread per scope, any number of scopes. Kernels use env.parallel_for, else OpenMP
 under -fopenmp. DETERMINISM  The same build on the same kind of processor gives the same bits for any number
 of threads.

   CONFIGURATION MACROS (before the implementation)
   NRX_MALLOC NRX_REALLOC NRX_FREE, NRX_LOG(line), NRX_VERBOSE, NRX_NO_STDIO, NRX_NO_SIMD, NRX_REPRODUCIBLE,
 NRX_USE_CBLAS (with NRX_CBLAS_HEADER), NRX_STATIC, NRX_DEF
*/
#if defined(NRX_STATIC) && defined(NRX_LINKAGE_) && NRX_LINKAGE_ != 1
#error "NRX_STATIC must be defined before the first nrx include of this translation unit"
#endif
#ifndef NRX_TENSOR_H
#define NRX_TENSOR_H
/* >>> nrx core (declarations) */
#ifndef NRX_CORE_VERSION
#define NRX_CORE_VERSION 2602423043
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

/* Around bookkeeping: checks, errors, recording, files, whatever has no loop that counts. gcc takes half the
   time for it at -O1, and a header is compiled more often than it is written. Loops stay outside. */
#if defined(__GNUC__) && !defined(__clang__) && !defined(__TINYC__) && defined(__OPTIMIZE__) &&                \
    !defined(__OPTIMIZE_SIZE__)
#define NRXI_GLUE_BEGIN _Pragma("GCC push_options") _Pragma("GCC optimize(\"O1\")")
#define NRXI_GLUE_END _Pragma("GCC pop_options")
#else
#define NRXI_GLUE_BEGIN
#define NRXI_GLUE_END
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
#elif NRX_CORE_VERSION != 2602423043
#error "nrx: headers with different versions of the core block are mixed in one translation unit"
#endif
/* <<< nrx core (declarations) */
/* >>> nrx files (declarations) */
#ifndef NRX_FILES_VERSION
#define NRX_FILES_VERSION 2846840219
/* One array of an .npz archive to be written. */
typedef struct nrx_npz_item {
    const char *name;
    int dtype;
    const void *data;
    const size_t *shape;
    int ndim;
} nrx_npz_item;
#elif NRX_FILES_VERSION != 2846840219
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

/* -- matrix products -- CBLAS argument order, row-major. From 64 upwards level with tuned BLAS libraries on
   one thread; OpenMP (when the compiler is told) shares large products, with the same bits for any number of
   threads. NRX_USE_CBLAS: cblas_sgemm and cblas_dgemm from NRX_CBLAS_HEADER (default <cblas.h>) do the work.
   Sums are folded in blocks of 256 terms. */
/* >>> twin f64 */
/* C = alpha op(A) op(B) + beta C with op(A) m x k, op(B) k x n, C m x n. ta: 0 = A is stored m x k (rows lda
   >= k apart), 1 = it is stored k x m (lda >= m) and used transposed; tb likewise (CBLAS's 111 and 112 are
   understood too). beta = 0 never reads C (it may hold NaN), alpha = 0 never A or B. Any size may be 0. C
   must not overlap A or B. Large products use up to 6 MB (f64: 13 MB) of workspace from NRX_MALLOC, and do
   without when there is none. NRX_E_ARG: a flag, a leading dimension or NULL; NRX_E_RANGE: a matrix larger
   than memory. */
NRX_DEF nrx_status nrx_gemm_f64(int ta, int tb, size_t m, size_t n, size_t k, double alpha, const double *a,
                                size_t lda, const double *b, size_t ldb, double beta, double *c, size_t ldc);
/* The same for `batch` products: the i-th uses a + i*stride_a, b + i*stride_b, c + i*stride_c. stride_a or
   stride_b 0: one matrix for all. */
NRX_DEF nrx_status nrx_gemm_batch_f64(int ta, int tb, size_t m, size_t n, size_t k, double alpha,
                                      const double *a, size_t lda, size_t stride_a, const double *b,
                                      size_t ldb, size_t stride_b, double beta, double *c, size_t ldc,
                                      size_t stride_c, size_t batch);
/* === twin f32 */
/* C = alpha op(A) op(B) + beta C with op(A) m x k, op(B) k x n, C m x n. ta: 0 = A is stored m x k (rows lda
   >= k apart), 1 = it is stored k x m (lda >= m) and used transposed; tb likewise (CBLAS's 111 and 112 are
   understood too). beta = 0 never reads C (it may hold NaN), alpha = 0 never A or B. Any size may be 0. C
   must not overlap A or B. Large products use up to 6 MB (f32: 13 MB) of workspace from NRX_MALLOC, and do
   without when there is none. NRX_E_ARG: a flag, a leading dimension or NULL; NRX_E_RANGE: a matrix larger
   than memory. */
NRX_DEF nrx_status nrx_gemm_f32(int ta, int tb, size_t m, size_t n, size_t k, float alpha, const float *a,
                                size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc);
/* The same for `batch` products: the i-th uses a + i*stride_a, b + i*stride_b, c + i*stride_c. stride_a or
   stride_b 0: one matrix for all. */
NRX_DEF nrx_status nrx_gemm_batch_f32(int ta, int tb, size_t m, size_t n, size_t k, float alpha,
                                      const float *a, size_t lda, size_t stride_a, const float *b,
                                      size_t ldb, size_t stride_b, float beta, float *c, size_t ldc,
                                      size_t stride_c, size_t batch);
/* <<< twin */

/* -- elementary functions on arrays -- y[i] = f(x[i]) for i < n; y may be x, else they must not overlap.
   Vectorised; right at infinities, NaN, subnormals and signed zeros; a value does not depend on its place in
   the array. Only NRX_E_ARG (NULL with n > 0) can happen. With NRX_REPRODUCIBLE: the same bits on every
   platform. Errors are below 2 ulp; the largest seen by tests/long/math_ulp.c over all f32 and 1e8 f64 values:
             exp   expm1  log   log1p  tanh  sigmoid  softplus  erf   sin   cos
       f32   0.77  0.87   0.82  0.92   1.34  1.97     1.61      1.32  0.51  0.51
       f64   0.77  1.09   0.74  0.74   1.36  1.88     1.48      1.10  0.81  0.80
   Floating-point flags are not kept clean. Arithmetic with excess precision (32-bit x86 without SSE) may add
   half an ulp. */
/* >>> twin f64 */
NRX_DEF nrx_status nrx_vexp_f64(size_t n, const double *x, double *y);
NRX_DEF nrx_status nrx_vexpm1_f64(size_t n, const double *x, double *y);     /* exp(x) - 1 */
NRX_DEF nrx_status nrx_vlog_f64(size_t n, const double *x, double *y);       /* 0: -infinity; negative: NaN */
NRX_DEF nrx_status nrx_vlog1p_f64(size_t n, const double *x, double *y);     /* log(1 + x) */
NRX_DEF nrx_status nrx_vtanh_f64(size_t n, const double *x, double *y);
NRX_DEF nrx_status nrx_vsigmoid_f64(size_t n, const double *x, double *y);   /* 1/(1 + exp(-x)) */
NRX_DEF nrx_status nrx_vsoftplus_f64(size_t n, const double *x, double *y);  /* log(1 + exp(x)) */
NRX_DEF nrx_status nrx_verf_f64(size_t n, const double *x, double *y);
NRX_DEF nrx_status nrx_vsin_f64(size_t n, const double *x, double *y);       /* any argument, also 1e300 */
NRX_DEF nrx_status nrx_vcos_f64(size_t n, const double *x, double *y);
/* === twin f32 */
NRX_DEF nrx_status nrx_vexp_f32(size_t n, const float *x, float *y);
NRX_DEF nrx_status nrx_vexpm1_f32(size_t n, const float *x, float *y);     /* expf(x) - 1 */
NRX_DEF nrx_status nrx_vlog_f32(size_t n, const float *x, float *y);       /* 0: -infinity; negative: NaN */
NRX_DEF nrx_status nrx_vlog1p_f32(size_t n, const float *x, float *y);     /* logf(1 + x) */
NRX_DEF nrx_status nrx_vtanh_f32(size_t n, const float *x, float *y);
NRX_DEF nrx_status nrx_vsigmoid_f32(size_t n, const float *x, float *y);   /* 1/(1 + expf(-x)) */
NRX_DEF nrx_status nrx_vsoftplus_f32(size_t n, const float *x, float *y);  /* logf(1 + expf(x)) */
NRX_DEF nrx_status nrx_verf_f32(size_t n, const float *x, float *y);
NRX_DEF nrx_status nrx_vsin_f32(size_t n, const float *x, float *y);       /* any argument, also 1e300 */
NRX_DEF nrx_status nrx_vcos_f32(size_t n, const float *x, float *y);
/* <<< twin */

/* ==== kernels on raw arrays: fft, linalg, files ==== */

/* -- fft -- X_k = sum_j x_j exp(-2 pi i j k / n) over every axis; complex numbers are interleaved (re, im)
   pairs. Any length >= 1: products of primes up to 61 run at full speed, others by Bluestein's algorithm
   (about 6 times slower). Error: a few eps log2(n) in the 2-norm.  One plan serves forward and inverse and
   any number of threads at a time, each with its own workspace. Running does not allocate. */
enum { NRX_FFT_BACKWARD = 0,  /* norm: the inverse is divided by the number of points (NumPy's default) */
       NRX_FFT_ORTHO = 1,     /* both directions are divided by its root: a unitary transform            */
       NRX_FFT_UNSCALED = 2   /* neither                                                                 */ };
typedef struct nrx_fft_desc {
    int    dtype;          /* NRX_F32 (0) or NRX_F64 */
    int    real;           /* 0: complex to complex. 1: forward takes reals and gives the half spectrum: the
                              last axis, of length n, becomes n/2 + 1 complex numbers; inverse takes that back
                              to reals. 2: the same with the full spectrum of n complex numbers (its second
                              half is filled in by symmetry, and not read by the inverse) */
    int    norm;           /* NRX_FFT_BACKWARD, NRX_FFT_ORTHO or NRX_FFT_UNSCALED */
    int    ndim;           /* axes that are transformed, 1 to 8 (0 counts as 1) */
    size_t shape[8];       /* their lengths, row-major; for real transforms those of the real array */
    size_t batch;          /* number of arrays (0 counts as 1) */
    /* Distances between the first elements of consecutive arrays; 0 = they follow one another. Counted in
       elements of that side: complex numbers, or reals on the real side of a real transform. */
    size_t in_distance, out_distance;
    /* One axis only: distance between consecutive samples; 0 counts as 1. The columns of an h x w image are
       shape h, batch w, strides w (distances are then 1 unless set). */
    size_t in_stride, out_stride;
    nrx_env env;
} nrx_fft_desc;
typedef struct nrx_fft nrx_fft;

/* Makes a plan: O(n log n) time, memory for about two arrays along each axis. *plan is NULL on failure. */
NRX_DEF nrx_status nrx_fft_create(nrx_fft **plan, const nrx_fft_desc *desc);
NRX_DEF void nrx_fft_destroy(nrx_fft *plan);                     /* NULL is fine */
/* Bytes of workspace for one run; 64-byte alignment is best, 8 enough. */
NRX_DEF size_t nrx_fft_workspace_size(const nrx_fft *plan);
/* Transforms `batch` arrays. work: nrx_fft_workspace_size bytes; NULL = the call allocates it. in may equal
   out in complex transforms whose distances and strides agree; otherwise they must not overlap. The inverse
   of the plan's in is its out: in_distance and in_stride describe what the forward transform reads and the
   inverse writes. */
NRX_DEF nrx_status nrx_fft_forward(const nrx_fft *plan, const void *in, void *out, void *work);
NRX_DEF nrx_status nrx_fft_inverse(const nrx_fft *plan, const void *in, void *out, void *work);
/* The least length >= n that is a multiple of 8 and fast (2^a times 1, 3, 5, 9 or 15): pad convolutions to
   it. */
NRX_DEF size_t nrx_fft_good_size(size_t n);
/* >>> twin f64 */
/* One transform without a plan: n complex numbers in and out (in may equal out); the inverse is divided by n.
   */
NRX_DEF nrx_status nrx_fft_f64(int inverse, size_t n, const double *in, double *out);
/* n reals -> n/2 + 1 complex numbers, and back divided by n. */
NRX_DEF nrx_status nrx_rfft_f64(size_t n, const double *in, double *out);
NRX_DEF nrx_status nrx_irfft_f64(size_t n, const double *in, double *out);
/* === twin f32 */
/* One transform without a plan: n complex numbers in and out (in may equal out); the inverse is divided by n.
   */
NRX_DEF nrx_status nrx_fft_f32(int inverse, size_t n, const float *in, float *out);
/* n reals -> n/2 + 1 complex numbers, and back divided by n. */
NRX_DEF nrx_status nrx_rfft_f32(size_t n, const float *in, float *out);
NRX_DEF nrx_status nrx_irfft_f32(size_t n, const float *in, float *out);
/* <<< twin */

/* -- dense linear algebra -- Matrices are row-major; m x n means m rows: element (i, j) of a is a[i*lda + j],
   lda >= n. Inputs are not changed; an output may be the input of the same shape. Right-hand sides are
   contiguous. Everything is computed in f64 (the _f32 functions convert), allocates its workspace (two to
   four matrices) and is backward stable: residuals are a small multiple of eps times the norm, also for
   matrices with entries from 1e-150 to 1e150. Any size may be 0. NRX_E_NUMERIC: NaN or infinity in the input,
   an exactly singular (for Cholesky: not positive definite) matrix, or no convergence (not seen); outputs are
   then undefined. Sources: Golub and Van Loan, Matrix Computations, 4th ed., chapters 3 to 5, 7, 8. */
/* >>> twin f64 */
/* A = L L^T for symmetric positive definite A (lower triangle read); l: n x n, zero above the diagonal. n^3/3
   flops. */
NRX_DEF nrx_status nrx_cholesky_f64(size_t n, const double *a, size_t lda, double *l, size_t ldl);
/* P A = L U with partial pivoting: lu holds U and, below its diagonal, L without its ones; row i was swapped
   with row piv[i], in order. */
NRX_DEF nrx_status nrx_lu_f64(size_t n, const double *a, size_t lda, double *lu, size_t ldlu, size_t *piv);
/* X = A^-1 B by LU; b and x: n x nrhs, x may be b. */
NRX_DEF nrx_status nrx_solve_f64(size_t n, const double *a, size_t lda, const double *b, size_t nrhs,
                                 double *x);
/* X = op(T)^-1 B, T the upper or lower triangle of a (unit: with ones on its diagonal, which is then not
   read), op the transpose if trans. */
NRX_DEF nrx_status nrx_trsolve_f64(int upper, int trans, int unit, size_t n, const double *a, size_t lda,
                                   const double *b, size_t nrhs, double *x);
/* A = Q R, k = min(m, n): q m x k with orthonormal columns, r k x n, zero below the diagonal. */
NRX_DEF nrx_status nrx_qr_f64(size_t m, size_t n, const double *a, size_t lda, double *q, size_t ldq,
                              double *r, size_t ldr);
/* The same with column pivoting: column perm[j] of A is column j of Q R, and |R_00| >= |R_11| >= ... reveals
   the rank. */
NRX_DEF nrx_status nrx_qr_pivot_f64(size_t m, size_t n, const double *a, size_t lda, double *q, size_t ldq,
                                    double *r, size_t ldr, size_t *perm);
/* Symmetric A (lower triangle read) = V diag(w) V^T: w ascending, columns of v (n x n) orthonormal. v NULL:
   values only. */
NRX_DEF nrx_status nrx_eigh_f64(size_t n, const double *a, size_t lda, double *w, double *v, size_t ldv);
/* General A: w = n complex numbers (re, im), a conjugate pair adjacent with the positive imaginary part
   first; v = n x n complex (entry (i, j) at v[2*(i*ldv + j)]): columns are eigenvectors of norm 1; NULL:
   values only. */
NRX_DEF nrx_status nrx_eig_f64(size_t n, const double *a, size_t lda, double *w, double *v, size_t ldv);
/* A = U diag(s) V^T, k = min(m, n): u m x k, s k values descending, vt k x n. u and vt both NULL: values
   only. */
NRX_DEF nrx_status nrx_svd_f64(size_t m, size_t n, const double *a, size_t lda, double *s, double *u,
                               size_t ldu, double *vt, size_t ldvt);
/* Minimum-norm X of min |A X - B|: b m x nrhs, x n x nrhs (x may be b when m >= n). Diagonal entries of the
   pivoted R below rcond |R_00| count as zero (negative: eps max(m, n)); rank: how many did not, or NULL. */
NRX_DEF nrx_status nrx_lstsq_f64(size_t m, size_t n, const double *a, size_t lda, const double *b,
                                 size_t nrhs, double rcond, double *x, size_t *rank);
/* === twin f32 */
/* A = L L^T for symmetric positive definite A (lower triangle read); l: n x n, zero above the diagonal. n^3/3
   flops. */
NRX_DEF nrx_status nrx_cholesky_f32(size_t n, const float *a, size_t lda, float *l, size_t ldl);
/* P A = L U with partial pivoting: lu holds U and, below its diagonal, L without its ones; row i was swapped
   with row piv[i], in order. */
NRX_DEF nrx_status nrx_lu_f32(size_t n, const float *a, size_t lda, float *lu, size_t ldlu, size_t *piv);
/* X = A^-1 B by LU; b and x: n x nrhs, x may be b. */
NRX_DEF nrx_status nrx_solve_f32(size_t n, const float *a, size_t lda, const float *b, size_t nrhs,
                                 float *x);
/* X = op(T)^-1 B, T the upper or lower triangle of a (unit: with ones on its diagonal, which is then not
   read), op the transpose if trans. */
NRX_DEF nrx_status nrx_trsolve_f32(int upper, int trans, int unit, size_t n, const float *a, size_t lda,
                                   const float *b, size_t nrhs, float *x);
/* A = Q R, k = min(m, n): q m x k with orthonormal columns, r k x n, zero below the diagonal. */
NRX_DEF nrx_status nrx_qr_f32(size_t m, size_t n, const float *a, size_t lda, float *q, size_t ldq,
                              float *r, size_t ldr);
/* The same with column pivoting: column perm[j] of A is column j of Q R, and |R_00| >= |R_11| >= ... reveals
   the rank. */
NRX_DEF nrx_status nrx_qr_pivot_f32(size_t m, size_t n, const float *a, size_t lda, float *q, size_t ldq,
                                    float *r, size_t ldr, size_t *perm);
/* Symmetric A (lower triangle read) = V diag(w) V^T: w ascending, columns of v (n x n) orthonormal. v NULL:
   values only. */
NRX_DEF nrx_status nrx_eigh_f32(size_t n, const float *a, size_t lda, float *w, float *v, size_t ldv);
/* General A: w = n complex numbers (re, im), a conjugate pair adjacent with the positive imaginary part
   first; v = n x n complex (entry (i, j) at v[2*(i*ldv + j)]): columns are eigenvectors of norm 1; NULL:
   values only. */
NRX_DEF nrx_status nrx_eig_f32(size_t n, const float *a, size_t lda, float *w, float *v, size_t ldv);
/* A = U diag(s) V^T, k = min(m, n): u m x k, s k values descending, vt k x n. u and vt both NULL: values
   only. */
NRX_DEF nrx_status nrx_svd_f32(size_t m, size_t n, const float *a, size_t lda, float *s, float *u,
                               size_t ldu, float *vt, size_t ldvt);
/* Minimum-norm X of min |A X - B|: b m x nrhs, x n x nrhs (x may be b when m >= n). Diagonal entries of the
   pivoted R below rcond |R_00| count as zero (negative: eps max(m, n)); rank: how many did not, or NULL. */
NRX_DEF nrx_status nrx_lstsq_f32(size_t m, size_t n, const float *a, size_t lda, const float *b,
                                 size_t nrhs, float rcond, float *x, size_t *rank);
/* <<< twin */

/* -- files: .npy and .npz of NumPy -- `dtype` is what you want in memory, whatever the file holds: NRX_F32,
   NRX_F64 (from bool, integers, f16, f32, f64 in either byte order; complex numbers get a last dimension of
   2), NRX_I64 (from bool and integers). Arrays come in C order. shape has room for 8 sizes. *data is freed
   with nrx_npy_free and NULL on failure. Hostile files are safe: NRX_E_FORMAT or NRX_E_UNSUPPORTED and one
   line that names what was found. Writing uses the machine's byte order, which the file records. */
NRX_DEF nrx_status nrx_npy_load(const char *path, int dtype, void **data, size_t *shape, int *ndim);
NRX_DEF nrx_status nrx_npy_decode(const void *bytes, size_t n, int dtype, void **data, size_t *shape,
                                  int *ndim);
NRX_DEF nrx_status nrx_npy_save(const char *path, int dtype, const void *data, const size_t *shape, int ndim);
/* The same file in memory; *bytes is freed with nrx_npy_free. */
NRX_DEF nrx_status nrx_npy_encode(int dtype, const void *data, const size_t *shape, int ndim, void **bytes,
                                  size_t *n);
/* One array of an archive written by numpy.savez (stored, not compressed): by name, or the index-th when name
   is NULL. */
NRX_DEF nrx_status nrx_npz_load(const char *path, const char *name, size_t index, int dtype, void **data,
                                size_t *shape, int *ndim);
NRX_DEF nrx_status nrx_npz_decode(const void *bytes, size_t n, const char *name, size_t index, int dtype,
                                  void **data, size_t *shape, int *ndim);
NRX_DEF nrx_status nrx_npz_save(const char *path, const nrx_npz_item *items, size_t count);
NRX_DEF nrx_status nrx_npz_encode(const nrx_npz_item *items, size_t count, void **bytes, size_t *n);
NRX_DEF void nrx_npy_free(void *p); /* NULL is fine */

/* ==== tensors ====

   A tensor is a strided view of a storage. Tensors are made in a scope, which owns them, recycles their
   memory and keeps the first error. Operators return a new tensor, or NULL after an error; NULL as an input
   gives NULL, so that one check at the end of a chain is enough: nrx_t_status(scope), nrx_t_error(scope).
   Operands of one call belong to one scope and have one dtype (nrx_t_cast converts). Floating dtypes NRX_F32
   and NRX_F64; NRX_I64 for indices, with + - * min max and comparisons.

   Lifetime. nrx_t_begin opens a level, nrx_t_end frees what was made since, but for what is kept: a loop of
   begin ... end neither leaks nor grows. Inside a level nrx_t_free gives one tensor back early. What a
   recorded graph needs for its gradients stays alive behind the scenes, and nothing else does. A freed tensor
   that is used again is noticed (NRX_E_STATE) as long as its scope is open: its record is not reused before
   512 more tensors have been freed.

   Gradients. Operators on tensors that require gradients are recorded. nrx_t_grad gives gradients as tensors
   that are themselves recorded, so that any order can be taken; nrx_t_backward adds gradients into x->grad
   and frees the graph. Views share storage. Writing to a storage that a recorded graph has saved is noticed
   when the gradient is taken.

   Threads: one thread per scope; kernels cut long work into chunks for env.parallel_for or OpenMP, with the
   same bits for any number of threads. Axes: negative ones count from the end. Sums: f32 is accumulated in
   f64, f64 in blocks. */

typedef struct nrx_scope nrx_scope;
typedef struct nrx_tensor nrx_tensor;

#define NRX_MAX_DIMS 8
#define NRX_AUTO ((size_t)-1) /* a size of a reshape that follows from the others; "keep" in nrx_t_expand */
#define NRX_AXIS(k) (1u << ((unsigned)(k) & 15u)) /* set of axes: NRX_AXIS(0) | NRX_AXIS(-1) */
#define NRX_ALL_AXES 0x10000u
#define NRX_END ((ptrdiff_t)1 << (sizeof(ptrdiff_t) * 8 - 3)) /* "to the end" in nrx_t_slice */

typedef struct nrx_shape {
    int ndim;                              /* 0 (one number) .. 8 */
    size_t n[NRX_MAX_DIMS];
} nrx_shape;

struct nrx_tensor {                        /* read, do not write */
    void       *data;                      /* element (0, ..., 0); NULL once freed */
    size_t      shape[NRX_MAX_DIMS];
    /* in elements; 0 along broadcast axes, negative along flipped ones */
    ptrdiff_t   stride[NRX_MAX_DIMS];
    size_t      size;                      /* number of elements */
    int         ndim, dtype;
    int         requires_grad;             /* gradients flow to or through it */
    nrx_tensor *grad;                      /* leaves: sum of what nrx_t_backward computed, or NULL */
    nrx_scope  *scope;
    const char *name;                      /* for messages and printing; see nrx_t_name */
    struct nrxi_t_node *node;                /* private: storage and graph */
};

typedef struct nrx_scope_desc {
    size_t limit;                          /* most bytes of tensor data at one time; 0 = no limit */
    nrx_env env;
} nrx_scope_desc;

typedef struct nrx_t_memory_info {
    size_t bytes, peak_bytes;              /* tensor data alive now, and at most since the last reset */
    size_t reserved_bytes;                 /* data and records held from the allocator, free or in use */
    size_t tensors;                        /* tensors alive, including what graphs keep */
    size_t graph_nodes;                    /* recorded operations alive */
} nrx_t_memory_info;

/* ---- shapes: nrx_s2(3, 4) is a 3 x 4 matrix; nrx_s0() a single number ---- */
NRX_INLINE nrx_shape nrx_s(int ndim, const size_t *n)
{
    nrx_shape s;
    int i;
    s.ndim = ndim;
    for (i = 0; i < NRX_MAX_DIMS; i++) s.n[i] = i < ndim ? n[i] : 1;
    return s;
}
NRX_INLINE nrx_shape nrx_s4(size_t a, size_t b, size_t c, size_t d)
{
    size_t n[4];
    n[0] = a; n[1] = b; n[2] = c; n[3] = d;
    return nrx_s(4, n);
}
NRX_INLINE nrx_shape nrx_s5(size_t a, size_t b, size_t c, size_t d, size_t e)
{
    nrx_shape s = nrx_s4(a, b, c, d);
    s.ndim = 5;
    s.n[4] = e;
    return s;
}
NRX_INLINE nrx_shape nrx_s3(size_t a, size_t b, size_t c)
{
    nrx_shape s = nrx_s4(a, b, c, 1);
    s.ndim = 3;
    return s;
}
NRX_INLINE nrx_shape nrx_s2(size_t a, size_t b) { nrx_shape s = nrx_s4(a, b, 1, 1); s.ndim = 2; return s; }
NRX_INLINE nrx_shape nrx_s1(size_t a) { nrx_shape s = nrx_s4(a, 1, 1, 1); s.ndim = 1; return s; }
NRX_INLINE nrx_shape nrx_s0(void) { nrx_shape s = nrx_s4(1, 1, 1, 1); s.ndim = 0; return s; }
NRX_DEF nrx_shape nrx_t_shape(const nrx_tensor *x); /* shape of x; of NULL: no axes */

/* ---- scopes ---- */
/* desc NULL = defaults; NULL when out of memory */
NRX_DEF nrx_scope *nrx_t_scope_open(const nrx_scope_desc *desc);
/* frees every tensor made in s; NULL is allowed */
NRX_DEF void nrx_t_scope_close(nrx_scope *s);
/* first error since the last clear; NRX_E_ARG for NULL */
NRX_DEF nrx_status nrx_t_status(const nrx_scope *s);
NRX_DEF const char *nrx_t_error(const nrx_scope *s);              /* its line, "" when there was none */
NRX_DEF void nrx_t_clear_error(nrx_scope *s);
NRX_DEF void nrx_t_begin(nrx_scope *s);                           /* opens a level; levels nest */
/* frees what the level made, but keep (may be NULL); returns keep */
NRX_DEF nrx_tensor *nrx_t_end(nrx_scope *s, nrx_tensor *keep);
/* x moves to the level around at the next nrx_t_end; returns x */
NRX_DEF nrx_tensor *nrx_t_keep(nrx_tensor *x);
/* gives x back before its level ends; NULL is allowed */
NRX_DEF void nrx_t_free(nrx_tensor *x);
NRX_DEF nrx_status nrx_t_memory(nrx_scope *s, nrx_t_memory_info *info, int reset_peak);
/* returns recycled memory to the allocator */
NRX_DEF void nrx_t_trim(nrx_scope *s);

/* ---- making tensors (contiguous, row-major) ---- */
NRX_DEF nrx_tensor *nrx_t_zeros(nrx_scope *s, int dtype, nrx_shape shape);
NRX_DEF nrx_tensor *nrx_t_ones(nrx_scope *s, int dtype, nrx_shape shape);
NRX_DEF nrx_tensor *nrx_t_full(nrx_scope *s, int dtype, nrx_shape shape, double value);
NRX_DEF nrx_tensor *nrx_t_empty(nrx_scope *s, int dtype, nrx_shape shape);       /* unset values */
NRX_DEF nrx_tensor *nrx_t_scalar(nrx_scope *s, int dtype, double value);          /* no axes, one number */
NRX_DEF nrx_tensor *nrx_t_from(nrx_scope *s, int dtype, nrx_shape shape, const void *data);  /* copies data */
/* A caller's array without a copy; it must outlive the tensor and every graph on it. stride in elements, NULL
   = row-major. Writing to it behind the library's back is allowed when no graph is recorded on it (else call
   nrx_t_touch). */
NRX_DEF nrx_tensor *nrx_t_wrap(nrx_scope *s, int dtype, nrx_shape shape, const ptrdiff_t *stride, void *data);
NRX_DEF nrx_tensor *nrx_t_arange(nrx_scope *s, int dtype, double start, double step, size_t n);
NRX_DEF nrx_tensor *nrx_t_linspace(nrx_scope *s, int dtype, double first, double last, size_t n);
NRX_DEF nrx_tensor *nrx_t_eye(nrx_scope *s, int dtype, size_t n);
/* [lo, hi) */
NRX_DEF nrx_tensor *nrx_t_uniform(nrx_scope *s, int dtype, nrx_shape shape, double lo, double hi, nrx_rng *r);
NRX_DEF nrx_tensor *nrx_t_normal(nrx_scope *s, int dtype, nrx_shape shape, double mean, double std,
                                 nrx_rng *r);
NRX_DEF nrx_tensor *nrx_t_permutation(nrx_scope *s, size_t n, nrx_rng *r);        /* i64: 0 .. n-1 shuffled */
/* 0 with probability p, else 1/(1-p) */
NRX_DEF nrx_tensor *nrx_t_dropout_mask(nrx_scope *s, int dtype, nrx_shape shape, double p, nrx_rng *r);

/* ---- values ---- */
/* the number in a one-element tensor; NaN on error */
NRX_DEF double nrx_t_item(const nrx_tensor *x);
/* element at index[ndim]; NaN on error */
NRX_DEF double nrx_t_get(const nrx_tensor *x, const size_t *index);
/* copies to out[size], row-major, dtype of x */
NRX_DEF nrx_status nrx_t_read(const nrx_tensor *x, void *out);
/* keeps the pointer, not the text; returns x */
NRX_DEF nrx_tensor *nrx_t_name(nrx_tensor *x, const char *name);
/* Text that fits a terminal: shape, dtype and at most about 8 x 8 numbers of each matrix. Returns the length
   that was needed. */
NRX_DEF size_t nrx_t_format(const nrx_tensor *x, char *text, size_t size);
/* the same to stdout; nothing under NRX_NO_STDIO */
NRX_DEF void nrx_t_print(const nrx_tensor *x);

/* ---- writing in place: not recorded, so only on tensors that are not the result of a recorded operation; x
   broadcasts y ---- */
NRX_DEF nrx_status nrx_t_set(nrx_tensor *x, const nrx_tensor *y);                     /* x = y */
NRX_DEF nrx_status nrx_t_fill(nrx_tensor *x, double value);
NRX_DEF nrx_status nrx_t_add_scaled(nrx_tensor *x, double alpha, const nrx_tensor *y); /* x += alpha y */
/* "I wrote to x->data" */
NRX_DEF nrx_status nrx_t_touch(nrx_tensor *x);

/* ---- views: no copy, gradients flow through ---- */
/* copies when the strides do not allow a view */
NRX_DEF nrx_tensor *nrx_t_reshape(nrx_tensor *x, nrx_shape shape);
NRX_DEF nrx_tensor *nrx_t_flatten(nrx_tensor *x, int first_axis, int last_axis);
/* axis i of the result is axis order[i] of x */
NRX_DEF nrx_tensor *nrx_t_permute(nrx_tensor *x, const int *order);
NRX_DEF nrx_tensor *nrx_t_transpose(nrx_tensor *x, int a, int b);
/* Python's start:stop:step; NRX_END = open */
NRX_DEF nrx_tensor *nrx_t_slice(nrx_tensor *x, int axis, ptrdiff_t start, ptrdiff_t stop, ptrdiff_t step);
NRX_DEF nrx_tensor *nrx_t_select(nrx_tensor *x, int axis, ptrdiff_t index); /* drops the axis */
NRX_DEF nrx_tensor *nrx_t_flip(nrx_tensor *x, unsigned axes);
/* repeats axes of size 1 and adds leading ones */
NRX_DEF nrx_tensor *nrx_t_expand(nrx_tensor *x, nrx_shape shape);
/* drops axes of size 1; NRX_ALL_AXES = all such */
NRX_DEF nrx_tensor *nrx_t_squeeze(nrx_tensor *x, unsigned axes);
NRX_DEF nrx_tensor *nrx_t_unsqueeze(nrx_tensor *x, int axis);
/* the diagonal becomes the last axis */
NRX_DEF nrx_tensor *nrx_t_diagonal(nrx_tensor *x, int a, int b);
/* a view when x is row-major, else a copy */
NRX_DEF nrx_tensor *nrx_t_contiguous(nrx_tensor *x);
NRX_DEF nrx_tensor *nrx_t_copy(nrx_tensor *x);
NRX_DEF nrx_tensor *nrx_t_cast(nrx_tensor *x, int dtype);
/* the same values as a constant: stops gradients */
NRX_DEF nrx_tensor *nrx_t_detach(nrx_tensor *x);
NRX_DEF nrx_tensor *nrx_t_diag(nrx_tensor *x);                            /* [..., n] -> [..., n, n] */
/* zero above diagonal k of the last two axes */
NRX_DEF nrx_tensor *nrx_t_tril(nrx_tensor *x, ptrdiff_t k);
NRX_DEF nrx_tensor *nrx_t_triu(nrx_tensor *x, ptrdiff_t k);

/* ---- element-wise, two operands, NumPy broadcasting ---- */
NRX_DEF nrx_tensor *nrx_t_add(nrx_tensor *a, nrx_tensor *b);
NRX_DEF nrx_tensor *nrx_t_sub(nrx_tensor *a, nrx_tensor *b);
NRX_DEF nrx_tensor *nrx_t_mul(nrx_tensor *a, nrx_tensor *b);
NRX_DEF nrx_tensor *nrx_t_div(nrx_tensor *a, nrx_tensor *b);
NRX_DEF nrx_tensor *nrx_t_pow(nrx_tensor *a, nrx_tensor *b);          /* d/db is 0 where a = 0 */
NRX_DEF nrx_tensor *nrx_t_atan2(nrx_tensor *y, nrx_tensor *x);
NRX_DEF nrx_tensor *nrx_t_maximum(nrx_tensor *a, nrx_tensor *b);      /* ties share the gradient */
NRX_DEF nrx_tensor *nrx_t_minimum(nrx_tensor *a, nrx_tensor *b);
/* Comparisons give 1 and 0 in the dtype of the operands, to multiply with. No gradient. */
NRX_DEF nrx_tensor *nrx_t_eq(nrx_tensor *a, nrx_tensor *b);
NRX_DEF nrx_tensor *nrx_t_ne(nrx_tensor *a, nrx_tensor *b);
NRX_DEF nrx_tensor *nrx_t_lt(nrx_tensor *a, nrx_tensor *b);
NRX_DEF nrx_tensor *nrx_t_le(nrx_tensor *a, nrx_tensor *b);
NRX_DEF nrx_tensor *nrx_t_gt(nrx_tensor *a, nrx_tensor *b);
NRX_DEF nrx_tensor *nrx_t_ge(nrx_tensor *a, nrx_tensor *b);
/* mask of any dtype: non-zero takes a */
NRX_DEF nrx_tensor *nrx_t_where(nrx_tensor *mask, nrx_tensor *a, nrx_tensor *b);

/* ---- element-wise, one operand ---- */
NRX_DEF nrx_tensor *nrx_t_affine(nrx_tensor *x, double scale, double shift);  /* scale x + shift */
NRX_DEF nrx_tensor *nrx_t_scale(nrx_tensor *x, double c);
NRX_DEF nrx_tensor *nrx_t_shift(nrx_tensor *x, double c);
NRX_DEF nrx_tensor *nrx_t_pow_scalar(nrx_tensor *x, double p);
/* gradient 1 where lo <= x <= hi */
NRX_DEF nrx_tensor *nrx_t_clamp(nrx_tensor *x, double lo, double hi);
NRX_DEF nrx_tensor *nrx_t_leaky_relu(nrx_tensor *x, double slope);            /* slope where x <= 0 */
/* alpha (exp(x) - 1) where x <= 0 */
NRX_DEF nrx_tensor *nrx_t_elu(nrx_tensor *x, double alpha);
NRX_DEF nrx_tensor *nrx_t_relu(nrx_tensor *x);
NRX_DEF nrx_tensor *nrx_t_neg(nrx_tensor *x);
NRX_DEF nrx_tensor *nrx_t_abs(nrx_tensor *x);                                 /* gradient 0 at 0 */
NRX_DEF nrx_tensor *nrx_t_sign(nrx_tensor *x);
/* floor ceil round sign: zero gradient */
NRX_DEF nrx_tensor *nrx_t_floor(nrx_tensor *x);
NRX_DEF nrx_tensor *nrx_t_ceil(nrx_tensor *x);
NRX_DEF nrx_tensor *nrx_t_round(nrx_tensor *x);                               /* half to even */
NRX_DEF nrx_tensor *nrx_t_square(nrx_tensor *x);
NRX_DEF nrx_tensor *nrx_t_sqrt(nrx_tensor *x);
NRX_DEF nrx_tensor *nrx_t_rsqrt(nrx_tensor *x);                               /* 1 / sqrt(x) */
NRX_DEF nrx_tensor *nrx_t_reciprocal(nrx_tensor *x);
NRX_DEF nrx_tensor *nrx_t_exp(nrx_tensor *x);
NRX_DEF nrx_tensor *nrx_t_expm1(nrx_tensor *x);
NRX_DEF nrx_tensor *nrx_t_log(nrx_tensor *x);
NRX_DEF nrx_tensor *nrx_t_log1p(nrx_tensor *x);
NRX_DEF nrx_tensor *nrx_t_sin(nrx_tensor *x);
NRX_DEF nrx_tensor *nrx_t_cos(nrx_tensor *x);
NRX_DEF nrx_tensor *nrx_t_tan(nrx_tensor *x);
NRX_DEF nrx_tensor *nrx_t_asin(nrx_tensor *x);
NRX_DEF nrx_tensor *nrx_t_acos(nrx_tensor *x);
NRX_DEF nrx_tensor *nrx_t_atan(nrx_tensor *x);
NRX_DEF nrx_tensor *nrx_t_sinh(nrx_tensor *x);
NRX_DEF nrx_tensor *nrx_t_cosh(nrx_tensor *x);
NRX_DEF nrx_tensor *nrx_t_tanh(nrx_tensor *x);
NRX_DEF nrx_tensor *nrx_t_sigmoid(nrx_tensor *x);
NRX_DEF nrx_tensor *nrx_t_softplus(nrx_tensor *x);                            /* log(1 + exp(x)) */
NRX_DEF nrx_tensor *nrx_t_silu(nrx_tensor *x);                                /* x sigmoid(x) */
NRX_DEF nrx_tensor *nrx_t_erf(nrx_tensor *x);
NRX_DEF nrx_tensor *nrx_t_gelu(nrx_tensor *x);                                /* x Phi(x), the exact form */
/* x times a fresh dropout mask */
NRX_DEF nrx_tensor *nrx_t_dropout(nrx_tensor *x, double p, nrx_rng *r);

/* ---- reductions over a set of axes; keepdim leaves them with size 1 ---- */
NRX_DEF nrx_tensor *nrx_t_sum(nrx_tensor *x, unsigned axes, int keepdim);
NRX_DEF nrx_tensor *nrx_t_mean(nrx_tensor *x, unsigned axes, int keepdim);
/* divides by n - correction */
NRX_DEF nrx_tensor *nrx_t_var(nrx_tensor *x, unsigned axes, int correction, int keepdim);
/* gradient exact with zeros too */
NRX_DEF nrx_tensor *nrx_t_prod(nrx_tensor *x, unsigned axes, int keepdim);
NRX_DEF nrx_tensor *nrx_t_norm(nrx_tensor *x, unsigned axes, int keepdim);    /* Euclidean; gradient 0 at 0 */
NRX_DEF nrx_tensor *nrx_t_logsumexp(nrx_tensor *x, unsigned axes, int keepdim);
/* gradient to the first largest element */
NRX_DEF nrx_tensor *nrx_t_max(nrx_tensor *x, unsigned axes, int keepdim);
NRX_DEF nrx_tensor *nrx_t_min(nrx_tensor *x, unsigned axes, int keepdim);
/* i64, the axis is dropped; first of ties; a NaN wins */
NRX_DEF nrx_tensor *nrx_t_argmax(nrx_tensor *x, int axis);
NRX_DEF nrx_tensor *nrx_t_argmin(nrx_tensor *x, int axis);
NRX_DEF nrx_tensor *nrx_t_cumsum(nrx_tensor *x, int axis);
NRX_DEF nrx_tensor *nrx_t_softmax(nrx_tensor *x, int axis);
NRX_DEF nrx_tensor *nrx_t_log_softmax(nrx_tensor *x, int axis);
/* [n, classes] and i64 [n]: mean over n */
NRX_DEF nrx_tensor *nrx_t_cross_entropy(nrx_tensor *logits, nrx_tensor *target);
/* mean of the squared difference */
NRX_DEF nrx_tensor *nrx_t_mse(nrx_tensor *a, nrx_tensor *b);
/* over first_axis .. last; weight, bias may be NULL */
NRX_DEF nrx_tensor *nrx_t_layer_norm(nrx_tensor *x, int first_axis, nrx_tensor *weight, nrx_tensor *bias,
                                     double eps);
/* x [n, c, ...]; weight, bias [c] or NULL */
NRX_DEF nrx_tensor *nrx_t_group_norm(nrx_tensor *x, size_t groups, nrx_tensor *weight, nrx_tensor *bias,
                                     double eps);

/* ---- sorting, joining, indexing; indices are i64 tensors, negative ones count from the end ---- */
/* stable; NaN counts as largest */
NRX_DEF nrx_tensor *nrx_t_argsort(nrx_tensor *x, int axis, int descending);
NRX_DEF nrx_tensor *nrx_t_sort(nrx_tensor *x, int axis, int descending);
/* largest first; index may be NULL */
NRX_DEF nrx_tensor *nrx_t_topk(nrx_tensor *x, int axis, size_t k, nrx_tensor **index);
NRX_DEF nrx_tensor *nrx_t_concat(nrx_tensor *const *x, size_t n, int axis);
NRX_DEF nrx_tensor *nrx_t_stack(nrx_tensor *const *x, size_t n, int axis);    /* along a new axis */
NRX_DEF nrx_status nrx_t_split(nrx_tensor *x, int axis, size_t parts, nrx_tensor **out); /* equal views */
/* index shaped as x but along axis */
NRX_DEF nrx_tensor *nrx_t_gather(nrx_tensor *x, int axis, nrx_tensor *index);
/* x plus src at index; shapes as gather */
NRX_DEF nrx_tensor *nrx_t_scatter_add(nrx_tensor *x, int axis, nrx_tensor *index, nrx_tensor *src);
/* index [k]: rows of an embedding with axis 0 */
NRX_DEF nrx_tensor *nrx_t_index_select(nrx_tensor *x, int axis, nrx_tensor *index);
NRX_DEF nrx_tensor *nrx_t_one_hot(nrx_tensor *index, size_t classes, int dtype); /* appends an axis */
enum { NRX_PAD_ZERO = 0, NRX_PAD_REFLECT = 1, NRX_PAD_REPLICATE = 2, NRX_PAD_CIRCULAR = 3 };
/* value: ZERO only */
NRX_DEF nrx_tensor *nrx_t_pad(nrx_tensor *x, int axis, size_t before, size_t after, int mode, double value);

/* ---- products ---- */
/* [..., m, k] [..., k, n], leading axes broadcast; a vector counts as NumPy says */
NRX_DEF nrx_tensor *nrx_t_matmul(nrx_tensor *a, nrx_tensor *b);
/* "ij,jk->ik"; letters, no "..." */
NRX_DEF nrx_tensor *nrx_t_einsum(const char *spec, nrx_tensor *const *x, size_t n);

/* ---- convolution (cross-correlation, as in the field); NULL options = stride 1, no padding ---- */
typedef struct nrx_conv {
    size_t stride[3], dilation[3];        /* by spatial axis, first axis first; 0 = 1 */
    size_t padding[3];                    /* zeros on both sides */
    int    same;                          /* padding = dilation (k - 1) / 2 instead */
    size_t groups;                        /* 0 = 1 */
    size_t output_padding[3];             /* transposed only: extra size at the end */
} nrx_conv;
/* x [n, ci, ...], w [co, ci/groups, ...], bias [co] or NULL. */
NRX_DEF nrx_tensor *nrx_t_conv1d(nrx_tensor *x, nrx_tensor *w, nrx_tensor *bias, const nrx_conv *opt);
NRX_DEF nrx_tensor *nrx_t_conv2d(nrx_tensor *x, nrx_tensor *w, nrx_tensor *bias, const nrx_conv *opt);
NRX_DEF nrx_tensor *nrx_t_conv3d(nrx_tensor *x, nrx_tensor *w, nrx_tensor *bias, const nrx_conv *opt);
/* The adjoint maps: x [n, ci, ...], w [ci, co/groups, ...]. */
NRX_DEF nrx_tensor *nrx_t_conv_transpose1d(nrx_tensor *x, nrx_tensor *w, nrx_tensor *bias,
                                           const nrx_conv *opt);
NRX_DEF nrx_tensor *nrx_t_conv_transpose2d(nrx_tensor *x, nrx_tensor *w, nrx_tensor *bias,
                                           const nrx_conv *opt);
NRX_DEF nrx_tensor *nrx_t_conv_transpose3d(nrx_tensor *x, nrx_tensor *w, nrx_tensor *bias,
                                           const nrx_conv *opt);

/* ---- images: x [n, c, h, w] ---- */
/* padding counts as zeros */
NRX_DEF nrx_tensor *nrx_t_avg_pool2d(nrx_tensor *x, size_t kernel, size_t stride, size_t padding);
/* padding never wins */
NRX_DEF nrx_tensor *nrx_t_max_pool2d(nrx_tensor *x, size_t kernel, size_t stride, size_t padding);
enum { NRX_NEAREST = 0, NRX_BILINEAR = 1 };
/* half-pixel centres unless align_corners */
NRX_DEF nrx_tensor *nrx_t_resize2d(nrx_tensor *x, size_t h, size_t w, int mode, int align_corners);
/* grid [n, ho, wo, 2]: x, y in [-1, 1]; bilinear; outside is 0, or with border the nearest border value */
NRX_DEF nrx_tensor *nrx_t_grid_sample(nrx_tensor *x, nrx_tensor *grid, int border, int align_corners);

/* ---- Fourier transforms: complex numbers are a last axis of two (re, im); `axes` names axes of the complex
   array. Forward unnormalised, inverse divides by n. Any length. ---- */
NRX_DEF nrx_tensor *nrx_t_fft(nrx_tensor *x, unsigned axes);
NRX_DEF nrx_tensor *nrx_t_ifft(nrx_tensor *x, unsigned axes);
/* real [.. n ..] -> [.. n/2+1 .., 2] */
NRX_DEF nrx_tensor *nrx_t_rfft(nrx_tensor *x, int axis);
NRX_DEF nrx_tensor *nrx_t_irfft(nrx_tensor *x, int axis, size_t n);            /* its inverse */
NRX_DEF nrx_tensor *nrx_t_complex(nrx_tensor *re, nrx_tensor *im);             /* im NULL = 0 */
NRX_DEF nrx_tensor *nrx_t_real(nrx_tensor *z);
NRX_DEF nrx_tensor *nrx_t_imag(nrx_tensor *z);
NRX_DEF nrx_tensor *nrx_t_complex_mul(nrx_tensor *a, nrx_tensor *b);
NRX_DEF nrx_tensor *nrx_t_conj(nrx_tensor *z);

/* ---- linear algebra on the last two axes, leading axes are a batch; computed in f64 inside ---- */
/* lower L of (a + a^T) / 2 = L L^T */
NRX_DEF nrx_tensor *nrx_t_cholesky(nrx_tensor *a);
/* x of a x = b; b [.., n, k] */
NRX_DEF nrx_tensor *nrx_t_solve(nrx_tensor *a, nrx_tensor *b);
/* a x = b, or a^T x = b */
NRX_DEF nrx_tensor *nrx_t_triangular_solve(nrx_tensor *a, nrx_tensor *b, int upper, int transposed);
NRX_DEF nrx_tensor *nrx_t_inverse(nrx_tensor *a);
NRX_DEF nrx_tensor *nrx_t_det(nrx_tensor *a);
NRX_DEF nrx_tensor *nrx_t_logdet(nrx_tensor *a);                               /* log |det a| */
/* argmin |a x - b|, m >= n, full rank */
NRX_DEF nrx_tensor *nrx_t_lstsq(nrx_tensor *a, nrx_tensor *b);
/* reduced; R has a non-negative diagonal */
NRX_DEF nrx_status nrx_t_qr(nrx_tensor *a, nrx_tensor **q, nrx_tensor **r);
/* symmetric, ascending, columns of v; reads (a + a^T)/2 */
NRX_DEF nrx_status nrx_t_eigh(nrx_tensor *a, nrx_tensor **w, nrx_tensor **v);
/* reduced, descending */
NRX_DEF nrx_status nrx_t_svd(nrx_tensor *a, nrx_tensor **u, nrx_tensor **s, nrx_tensor **vt);
/* Gradients of eigh and svd through vectors divide by gaps of eigen- or singular values: for pairs closer
   than 1e-12 of the largest the term is dropped, which is exact when the function does not depend on the
   choice of basis of that eigenspace. */

/* ---- gradients ---- */
NRX_DEF nrx_tensor *nrx_t_require_grad(nrx_tensor *x, int on);                 /* marks a leaf; returns x */
/* 1: record nothing from now on; returns the setting before */
NRX_DEF int nrx_t_no_grad(nrx_scope *s, int on);
/* gx[i] = d sum(y) / d x[i], recorded themselves unless in no-grad mode. Zeros where y does not depend on
   x[i]. */
NRX_DEF nrx_status nrx_t_grad(nrx_tensor *y, nrx_tensor *const *x, size_t n, nrx_tensor **gx);
/* gy shaped as y, NULL = ones */
NRX_DEF nrx_status nrx_t_vjp(nrx_tensor *y, nrx_tensor *gy, nrx_tensor *const *x, size_t n, nrx_tensor **gx);
/* sum_i (dy/dx[i]) v[i] */
NRX_DEF nrx_tensor *nrx_t_jvp(nrx_tensor *y, nrx_tensor *const *x, nrx_tensor *const *v, size_t n);
/* v [k, shape of x] -> [k, shape of y] */
NRX_DEF nrx_tensor *nrx_t_jvp_batch(nrx_tensor *y, nrx_tensor *x, nrx_tensor *v);
/* of sum(y) */
NRX_DEF nrx_status nrx_t_hvp(nrx_tensor *y, nrx_tensor *const *x, nrx_tensor *const *v, size_t n,
                             nrx_tensor **hv);
/* [shape of y, shape of x], at most 8 axes */
NRX_DEF nrx_tensor *nrx_t_jacobian(nrx_tensor *y, nrx_tensor *x);
/* of sum(y): [size of x, size of x] */
NRX_DEF nrx_tensor *nrx_t_hessian(nrx_tensor *y, nrx_tensor *x);
/* Adds d sum(y) to ->grad of every leaf that requires it and frees the graph behind y, unless keep_graph.
   Nothing is recorded. */
NRX_DEF nrx_status nrx_t_backward(nrx_tensor *y, int keep_graph);
NRX_DEF nrx_status nrx_t_zero_grad(nrx_tensor *const *x, size_t n);
/* Door to optimizers: params[i] = (value, grad) of leaf x[i] as shape[0] x rest; makes missing gradients
   (zero). After a step from outside call nrx_t_touch on each x. */
NRX_DEF nrx_status nrx_t_params(nrx_tensor *const *x, size_t n, nrx_param *params);

typedef nrx_tensor *(*nrx_t_fn)(void *user, nrx_tensor *const *x, size_t n);
/* fn(x), whose inside is computed again for the gradient instead of being kept. Whatever fn needs gradients
   for must be in x. */
NRX_DEF nrx_tensor *nrx_t_checkpoint(nrx_t_fn fn, void *user, nrx_tensor *const *x, size_t n);

typedef struct nrx_t_custom_op {
    const char *name;
    nrx_t_fn forward;                     /* y from x[0 .. n-1]; runs in no-grad mode */
    /* gx[i] = (dy/dx[i])^T gy, or NULL for zero; written with tensor operators it can be differentiated
       again. */
    nrx_status (*backward)(void *user, nrx_tensor *const *x, size_t n, nrx_tensor *y, nrx_tensor *gy,
                           nrx_tensor **gx);
    void *user;                           /* must outlive the graph */
} nrx_t_custom_op;
NRX_DEF nrx_tensor *nrx_t_custom(const nrx_t_custom_op *op, nrx_tensor *const *x, size_t n);
/* y = A x for each row of x [..., cols] -> [..., rows], of any order; the operator's user data must outlive
   the graph. */
NRX_DEF nrx_tensor *nrx_t_linop(const nrx_linop *A, nrx_tensor *x);
/* f(x) for x of f->n elements -> one number; first order only (the gradient is a constant). */
NRX_DEF nrx_tensor *nrx_t_functional(const nrx_functional *f, nrx_tensor *x);

/* Compares gradients of a random projection of fn with central differences of step eps (0 = 1e-6 for f64,
   1e-2 for f32), and Hessian-vector products with differences of gradients when order is 2. *worst = largest
   |difference| / (1 + |value|). NRX_E_NUMERIC when it exceeds tol. x must be leaves that
   require gradients. */
NRX_DEF nrx_status nrx_t_gradcheck(nrx_t_fn fn, void *user, nrx_tensor *const *x, size_t n, int order,
                                   double eps, double tol, double *worst);

/* ---- files: .npy of any numeric dtype (floats come as they are, integers as i64); .npz members are read
   when stored, not deflated ---- */
NRX_DEF nrx_tensor *nrx_t_load_npy(nrx_scope *s, const char *path);
NRX_DEF nrx_status nrx_t_save_npy(const char *path, const nrx_tensor *x);
/* the same from memory; untrusted bytes are safe */
NRX_DEF nrx_tensor *nrx_t_parse_npy(nrx_scope *s, const void *bytes, size_t n);
NRX_DEF nrx_tensor *nrx_t_load_npz(nrx_scope *s, const char *path, const char *member);
NRX_DEF nrx_status nrx_t_save_npz(const char *path, const char *const *members, nrx_tensor *const *x,
                                  size_t n);

#ifdef __cplusplus
}
#endif
#endif /* NRX_TENSOR_H */

#if (defined(NRX_TENSOR_IMPLEMENTATION) || defined(NRX_IMPLEMENTATION) || defined(NRX_STATIC)) &&            \
    !defined(NRX_TENSOR_IMPL_DONE_)
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
#define NRXI_MATH_VERSION 2916428630
/* Elementary functions on arrays. Each is one branch-free scalar function ("lane") that compilers
   vectorise: a loop over a fixed number of lanes is compiled for the plain target, for AVX2 and for AVX-512,
   and chosen at run time. Choices are made by masks on the bits, which keeps the loops free of branches.
   Without SIMD the same lanes run one by one, from + - * / and integer arithmetic alone: under
   NRX_REPRODUCIBLE they give the same bits everywhere. Measured errors stand at the public functions.
   Polynomials: own fits (weighted least squares iterated to near-minimax in 60 digits). Argument reductions
   after Cody and Waite and after Payne and Hanek: J.-M. Muller, Elementary Functions, 3rd ed., ch. 11. */
#if defined(NRXI_VEC)
#define NRXI_LANE __attribute__((always_inline, unused)) static inline
#else
#define NRXI_LANE NRXI_FN
#endif
enum { NRXI_LANES = 16 };

/* a value rounded to its type, also where the machine computes with more (constants that must be exact are
   cast for the same reason) and where -ffast-math would fold x + c - c */
#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) ||                                               \
    (defined(__FLT_EVAL_METHOD__) && (__FLT_EVAL_METHOD__ == 1 || __FLT_EVAL_METHOD__ == 2))
NRXI_FN float nrxi_round_f32(float x) { volatile float y = x; return y; }
NRXI_FN double nrxi_round_f64(double x) { volatile double y = x; return y; }
#else
#define nrxi_round_f32(x) (x)
#define nrxi_round_f64(x) (x)
#endif

NRXI_LANE uint32_t nrxi_bits_f32(float x) { uint32_t u; memcpy(&u, &x, 4); return u; }
NRXI_LANE uint64_t nrxi_bits_f64(double x) { uint64_t u; memcpy(&u, &x, 8); return u; }
NRXI_LANE float nrxi_from_bits_f32(uint32_t u) { float x; memcpy(&x, &u, 4); return x; }
NRXI_LANE double nrxi_from_bits_f64(uint64_t u) { double x; memcpy(&x, &u, 8); return x; }

/* c ? a : b by mask; c must be 0 or 1 */
NRXI_LANE float nrxi_pick_f32(int c, float a, float b)
{
    uint32_t mask = (uint32_t)0 - (uint32_t)c;
    return nrxi_from_bits_f32((nrxi_bits_f32(a) & mask) | (nrxi_bits_f32(b) & ~mask));
}
NRXI_LANE double nrxi_pick_f64(int c, double a, double b)
{
    uint64_t mask = (uint64_t)0 - (uint64_t)c;
    return nrxi_from_bits_f64((nrxi_bits_f64(a) & mask) | (nrxi_bits_f64(b) & ~mask));
}

/* a*b + c; fused (a constant in every instance): with one rounding, where the machine has that */
NRXI_LANE float nrxi_fma_f32(int fused, float a, float b, float c)
{
#if defined(NRXI_VEC)
    if (fused) return __builtin_fmaf(a, b, c);
#endif
    (void)fused;
    return a * b + c;
}
NRXI_LANE double nrxi_fma_f64(int fused, double a, double b, double c)
{
#if defined(NRXI_VEC)
    if (fused) return __builtin_fma(a, b, c);
#endif
    (void)fused;
    return a * b + c;
}

/* >>> twin f64 */
NRXI_LANE double nrxi_abs_f64(double x)
{
    return nrxi_from_bits_f64(nrxi_bits_f64(x) & (~nrxi_bits_f64((double)0) >> 1));
}
/* |x| with the sign of s */
NRXI_LANE double nrxi_sign_f64(double x, double s)
{
    return nrxi_from_bits_f64((nrxi_bits_f64(x) & (~nrxi_bits_f64((double)0) >> 1))
                              | (nrxi_bits_f64(s) & ~(~nrxi_bits_f64((double)0) >> 1)));
}
NRXI_LANE double nrxi_clamp_f64(double x, double lo, double hi) /* NaN stays */
{
    return nrxi_pick_f64(x < lo, lo, nrxi_pick_f64(x > hi, hi, x));
}
/* === twin f32 */
NRXI_LANE float nrxi_abs_f32(float x)
{
    return nrxi_from_bits_f32(nrxi_bits_f32(x) & (~nrxi_bits_f32((float)0) >> 1));
}
/* |x| with the sign of s */
NRXI_LANE float nrxi_sign_f32(float x, float s)
{
    return nrxi_from_bits_f32((nrxi_bits_f32(x) & (~nrxi_bits_f32((float)0) >> 1))
                              | (nrxi_bits_f32(s) & ~(~nrxi_bits_f32((float)0) >> 1)));
}
NRXI_LANE float nrxi_clamp_f32(float x, float lo, float hi) /* NaN stays */
{
    return nrxi_pick_f32(x < lo, lo, nrxi_pick_f32(x > hi, hi, x));
}
/* <<< twin */

/* Polynomials by Horner's rule; F names the type, `fused` must be in scope. */
#define NRXI_P1(F, x, a, b) nrxi_fma_##F(fused, b, x, a)
#define NRXI_P2(F, x, a, b, c) NRXI_P1(F, x, a, NRXI_P1(F, x, b, c))
#define NRXI_P3(F, x, a, b, c, d) NRXI_P1(F, x, a, NRXI_P2(F, x, b, c, d))
#define NRXI_P4(F, x, a, b, c, d, e) NRXI_P1(F, x, a, NRXI_P3(F, x, b, c, d, e))
#define NRXI_P5(F, x, a, b, c, d, e, f) NRXI_P1(F, x, a, NRXI_P4(F, x, b, c, d, e, f))
#define NRXI_P6(F, x, a, b, c, d, e, f, g) NRXI_P1(F, x, a, NRXI_P5(F, x, b, c, d, e, f, g))
#define NRXI_P8(F, x, a, b, c, d, e, f, g, h, i)                                                             \
    NRXI_P1(F, x, a, NRXI_P1(F, x, b, NRXI_P6(F, x, c, d, e, f, g, h, i)))
#define NRXI_P10(F, x, a, b, c, d, e, f, g, h, i, j, k)                                                      \
    NRXI_P1(F, x, a, NRXI_P1(F, x, b, NRXI_P8(F, x, c, d, e, f, g, h, i, j, k)))
#define NRXI_P12(F, x, a, b, c, d, e, f, g, h, i, j, k, l, m) \
    NRXI_P1(F, x, a, NRXI_P1(F, x, b, NRXI_P10(F, x, c, d, e, f, g, h, i, j, k, l, m)))

/* -- what exp and expm1 share: x = k ln 2 + r + low, |r| <= ln(2)/2 and a little; (exp(r) - 1 - r)/r^2 -- */

NRXI_LANE float nrxi_exp_split_f32(int fused, float x, uint32_t *k, float *low)
{
    float t =
        nrxi_round_f32(nrxi_fma_f32(fused, x, 1.44269504f, 12582912.0f)); /* 1.5 * 2^23: k in the low bits */
    float q = t - 12582912.0f, high = nrxi_fma_f32(fused, q, (float)-0.693145752f, x),
          r = nrxi_fma_f32(fused, q, (float)-1.42860682e-06f, high);
    *k = nrxi_bits_f32(t) - 0x4b400000u;
    *low = nrxi_fma_f32(fused, q, (float)-1.42860682e-06f, high - r);
    return r;
}
NRXI_LANE float nrxi_exp_poly_f32(int fused, float r)
{
    return NRXI_P5(f32, r, 0.5f, 0.166666672f, 0.0416663401f, 0.00833327509f, 0.00139421097f, 0.0001991303f);
}
NRXI_LANE double nrxi_exp_split_f64(int fused, double x, uint64_t *k, double *low)
{
    double t =
        nrxi_round_f64(nrxi_fma_f64(fused, x, 1.4426950408889634, 6755399441055744.0)); /* 1.5 * 2^52 */
    double q = t - 6755399441055744.0, high = nrxi_fma_f64(fused, q, (double)-0.69314718055989033, x);
    double r = nrxi_fma_f64(fused, q, (double)-5.4979230187083712e-14, high);
    *k = nrxi_bits_f64(t) - 0x4338000000000000u;
    *low = nrxi_fma_f64(fused, q, (double)-5.4979230187083712e-14, high - r);
    return r;
}
NRXI_LANE double nrxi_exp_poly_f64(int fused, double r)
{
    return NRXI_P10(f64, r, 0.5, 0.16666666666666677, 0.041666666666666706, 0.0083333333333206559,
                    0.0013888888888865243, 0.0001984126988888906, 2.4801587363745879e-05,
                    2.7557241169441245e-06, 2.7557240009946813e-07, 2.511017672941846e-08,
                    2.0925298097519068e-09);
}

/* -- the lanes -- */

NRXI_LANE float nrxi_exp_lane_f32(float x, int fused)
{
    uint32_t k, half;
    float low, r = nrxi_exp_split_f32(fused, nrxi_clamp_f32(x, -104.0f, 89.0f), &k, &low);
    float sum = nrxi_round_f32(1.0f + r), rest = r - nrxi_round_f32(sum - 1.0f);
    float y = sum + (rest + nrxi_fma_f32(fused, r * r, nrxi_exp_poly_f32(fused, r), low));
    half = (k + 256u) >> 1; /* 2^k in two factors: results may be subnormal */
    return y * nrxi_from_bits_f32((half - 1u) << 23) * nrxi_from_bits_f32((k + 256u - half - 1u) << 23);
}
NRXI_LANE double nrxi_exp_lane_f64(double x, int fused)
{
    uint64_t k, half;
    double low, r = nrxi_exp_split_f64(fused, nrxi_clamp_f64(x, -746.0, 710.0), &k, &low);
    double sum = nrxi_round_f64(1.0 + r), rest = r - nrxi_round_f64(sum - 1.0);
    double y = sum + (rest + nrxi_fma_f64(fused, r * r, nrxi_exp_poly_f64(fused, r), low));
    half = (k + 2048u) >> 1;
    return y * nrxi_from_bits_f64((half - 1u) << 52) * nrxi_from_bits_f64((k + 2048u - half - 1u) << 52);
}

/* 2^k (r + r^2 p) + (2^k - 1), the large part summed without error; halved until the end since k may be the
   largest exponent + 1 */
NRXI_LANE float nrxi_expm1_lane_f32(float x, int fused)
{
    uint32_t k;
    float low, r = nrxi_exp_split_f32(fused, nrxi_clamp_f32(x, -18.0f, 89.0f), &k, &low);
    float s = nrxi_from_bits_f32((k + 126u) << 23), a = nrxi_round_f32(s - 0.5f), sr = s * r,
          sum = nrxi_round_f32(a + sr);
    float rest = (sr - nrxi_round_f32(sum - a)) + (nrxi_round_f32(s - a) - 0.5f) +
                 s * nrxi_fma_f32(fused, r * r, nrxi_exp_poly_f32(fused, r), low);
    return nrxi_pick_f32(nrxi_abs_f32(x) < 1e-9f, x, 2.0f * (sum + rest));
}
NRXI_LANE double nrxi_expm1_lane_f64(double x, int fused)
{
    uint64_t k;
    double low, r = nrxi_exp_split_f64(fused, nrxi_clamp_f64(x, -38.0, 710.0), &k, &low);
    double s = nrxi_from_bits_f64((k + 1022u) << 52), a = nrxi_round_f64(s - 0.5), sr = s * r,
           sum = nrxi_round_f64(a + sr);
    double rest = (sr - nrxi_round_f64(sum - a)) + (nrxi_round_f64(s - a) - 0.5) +
                  s * nrxi_fma_f64(fused, r * r, nrxi_exp_poly_f64(fused, r), low);
    return nrxi_pick_f64(nrxi_abs_f64(x) < 1e-18, x, 2.0 * (sum + rest));
}

/* log(u + c) for normal u > 0 and |c| <= ulp(u)/2, plus `shift` ln 2: u = 2^k m, sqrt(1/2) <= m < sqrt(2) */
NRXI_LANE float nrxi_log_core_f32(float u, float c, float shift, int fused)
{
    uint32_t bits = nrxi_bits_f32(u) + (0x3f800000u - 0x3f3504f3u);
    float k = (float)((int32_t)(bits >> 23) - 127) + shift;
    float f = nrxi_from_bits_f32((bits & 0x7fffffu) + 0x3f3504f3u) - 1.0f, z = f * f;
    float p = NRXI_P8(f32, f, 0.333333135f, -0.250000089f, 0.200021341f, -0.166680112f, 0.142192051f,
                      -0.124050573f, 0.118903719f, -0.116800539f, 0.0674693584f);
    float low = nrxi_fma_f32(fused, k, (float)1.42860682e-06f, c) + nrxi_fma_f32(fused, z * f, p, -0.5f * z);
    return nrxi_fma_f32(fused, k, (float)0.693145752f, f + low);
}
NRXI_LANE double nrxi_log_core_f64(double u, double c, double shift, int fused)
{
    uint64_t bits = nrxi_bits_f64(u) + (0x3ff0000000000000u - 0x3fe6a09e667f3bcdu);
    double k = nrxi_from_bits_f64((bits >> 52) + 0x4338000000000000u) - (6755399441055744.0 + 1023.0) + shift;
    double f = nrxi_from_bits_f64((bits & 0xfffffffffffffu) + 0x3fe6a09e667f3bcdu) - 1.0, half = 0.5 * f * f;
    double s = f / (2.0 + f), z = s * s;
    double p =
        z * NRXI_P6(f64, z, 0.66666666666667374, 0.39999999999392438, 0.28571428747663441,
                    0.22222197997848925, 0.18183595952292469, 0.15313198616247767, 0.14804887822213225);
    double low = nrxi_fma_f64(fused, s, half + p, nrxi_fma_f64(fused, k, (double)5.4979230187083712e-14, c));
    return nrxi_fma_f64(fused, k, (double)0.69314718055989033, f - (half - low));
}

NRXI_LANE float nrxi_log_lane_f32(float x, int fused)
{
    int tiny = x < 1.17549435e-38f;
    float y = nrxi_log_core_f32(nrxi_pick_f32(tiny, x * 8388608.0f, x), 0.0f,
                                nrxi_pick_f32(tiny, -23.0f, 0.0f), fused);
    y = nrxi_pick_f32(x <= 3.40282347e+38f, y, x); /* infinity, NaN */
    y = nrxi_pick_f32(x < 0.0f, nrxi_from_bits_f32(0x7fc00000u), y);
    return nrxi_pick_f32(nrxi_abs_f32(x) <= 0.0f, nrxi_from_bits_f32(0xff800000u), y);
}
NRXI_LANE double nrxi_log_lane_f64(double x, int fused)
{
    int tiny = x < 2.2250738585072014e-308;
    double y = nrxi_log_core_f64(nrxi_pick_f64(tiny, x * 4503599627370496.0, x), 0.0,
                                 nrxi_pick_f64(tiny, -52.0, 0.0), fused);
    y = nrxi_pick_f64(x <= 1.7976931348623157e308, y, x);
    y = nrxi_pick_f64(x < 0.0, nrxi_from_bits_f64(0x7ff8000000000000u), y);
    return nrxi_pick_f64(nrxi_abs_f64(x) <= 0.0, nrxi_from_bits_f64(0xfff0000000000000u), y);
}

/* log(1 + x): u = 1 + x rounded, c its error */
NRXI_LANE float nrxi_log1p_lane_f32(float x, int fused)
{
    float u = nrxi_round_f32(1.0f + x), v = nrxi_round_f32(u - x),
          c = nrxi_round_f32(x - nrxi_round_f32(u - v)) + (1.0f - v);
    float y = nrxi_log_core_f32(u, c / u, 0.0f, fused);
    y = nrxi_pick_f32(nrxi_abs_f32(x) < 1e-9f, x, nrxi_pick_f32(x <= 3.40282347e+38f, y, x));
    y = nrxi_pick_f32(x < -1.0f, nrxi_from_bits_f32(0x7fc00000u), y);
    return nrxi_pick_f32(nrxi_abs_f32(u) <= 0.0f, nrxi_from_bits_f32(0xff800000u), y);
}
NRXI_LANE double nrxi_log1p_lane_f64(double x, int fused)
{
    double u = nrxi_round_f64(1.0 + x), v = nrxi_round_f64(u - x),
           c = nrxi_round_f64(x - nrxi_round_f64(u - v)) + (1.0 - v);
    double y = nrxi_log_core_f64(u, c / u, 0.0, fused);
    y = nrxi_pick_f64(nrxi_abs_f64(x) < 1e-18, x, nrxi_pick_f64(x <= 1.7976931348623157e308, y, x));
    y = nrxi_pick_f64(x < -1.0, nrxi_from_bits_f64(0x7ff8000000000000u), y);
    return nrxi_pick_f64(nrxi_abs_f64(u) <= 0.0, nrxi_from_bits_f64(0xfff0000000000000u), y);
}

/* max(x, 0) + log(1 + exp(-|x|)) */
NRXI_LANE float nrxi_softplus_lane_f32(float x, int fused)
{
    float e = nrxi_exp_lane_f32(-nrxi_abs_f32(x), fused), u = nrxi_round_f32(1.0f + e),
          c = e - nrxi_round_f32(u - 1.0f);
    return nrxi_pick_f32(x > 0.0f, x, 0.0f) + nrxi_log_core_f32(u, c / u, 0.0f, fused);
}
NRXI_LANE double nrxi_softplus_lane_f64(double x, int fused)
{
    double e = nrxi_exp_lane_f64(-nrxi_abs_f64(x), fused), u = nrxi_round_f64(1.0 + e),
           c = e - nrxi_round_f64(u - 1.0);
    return nrxi_pick_f64(x > 0.0, x, 0.0) + nrxi_log_core_f64(u, c / u, 0.0, fused);
}

/* exp(x) + 1 for 0 <= x <= 44, without the care that exp itself takes: within 1.6 ulp (f32) */
NRXI_LANE float nrxi_exp_plus1_f32(float x, int fused)
{
    uint32_t k;
    float low, r = nrxi_exp_split_f32(fused, x, &k, &low), s;
    s = nrxi_from_bits_f32((k + 127u) << 23);
    (void)low;
    return nrxi_fma_f32(fused, s, nrxi_fma_f32(fused, r * r, nrxi_exp_poly_f32(fused, r), r), s) + 1.0f;
}
NRXI_LANE double nrxi_exp_plus1_f64(double x, int fused)
{
    uint64_t k;
    double low, r = nrxi_exp_split_f64(fused, x, &k, &low), s;
    s = nrxi_from_bits_f64((k + 1023u) << 52);
    (void)low;
    return nrxi_fma_f64(fused, s, nrxi_fma_f64(fused, r * r, nrxi_exp_poly_f64(fused, r), r), s) + 1.0;
}

/* small |x|: Lambert's continued fraction, tanh x = x - x q(x^2); else 1 - 2/(exp(2|x|) + 1). One division
   serves both. */
NRXI_LANE float nrxi_tanh_lane_f32(float x, int fused)
{
    float a = nrxi_clamp_f32(nrxi_abs_f32(x), 0.0f, 10.0f), z = a * a, q;
    int small = a < 0.625f;
    q = nrxi_pick_f32(small, z * NRXI_P2(f32, z, 3465.0f, 189.0f, 1.0f), 2.0f)
      / nrxi_pick_f32(small, NRXI_P3(f32, z, 10395.0f, 4725.0f, 210.0f, 1.0f),
                      nrxi_exp_plus1_f32(2.0f * a, fused));
    return nrxi_sign_f32(nrxi_pick_f32(small, a - a * q, 1.0f - q), x);
}
NRXI_LANE double nrxi_tanh_lane_f64(double x, int fused)
{
    double a = nrxi_clamp_f64(nrxi_abs_f64(x), 0.0, 22.0), z = a * a, q;
    int small = a < 0.6;
    q = nrxi_pick_f64(small, z * NRXI_P3(f64, z, 675675.0, 45045.0, 594.0, 1.0), 2.0)
      / nrxi_pick_f64(small, NRXI_P4(f64, z, 2027025.0, 945945.0, 51975.0, 630.0, 1.0),
                      nrxi_exp_plus1_f64(2.0 * a, fused));
    return nrxi_sign_f64(nrxi_pick_f64(small, a - a * q, 1.0 - q), x);
}

/* >>> twin f64 */
/* 1/(1 + exp(-x)), from exp(-|x|) so that it cannot overflow; the rounding error of 1 + e is put back */
NRXI_LANE double nrxi_sigmoid_lane_f64(double x, int fused)
{
    double e = nrxi_exp_lane_f64(-nrxi_abs_f64(x), fused), d = nrxi_round_f64((double)1 + e);
    double lost = e - nrxi_round_f64(d - (double)1), q = nrxi_pick_f64(x < (double)0, e, (double)1) / d;
    return q - q * (lost * nrxi_pick_f64(x < (double)0, (double)1 - q, q));
}
/* === twin f32 */
/* 1/(1 + expf(-x)), from expf(-|x|) so that it cannot overflow; the rounding error of 1 + e is put back */
NRXI_LANE float nrxi_sigmoid_lane_f32(float x, int fused)
{
    float e = nrxi_exp_lane_f32(-nrxi_abs_f32(x), fused), d = nrxi_round_f32((float)1 + e);
    float lost = e - nrxi_round_f32(d - (float)1), q = nrxi_pick_f32(x < (float)0, e, (float)1) / d;
    return q - q * (lost * nrxi_pick_f32(x < (float)0, (float)1 - q, q));
}
/* <<< twin */

/* |x| < 1: x + x E(x^2); else 1 - exp(-x^2) W(1/(|x| + 2)) */
NRXI_LANE float nrxi_erf_lane_f32(float x, int fused)
{
    float a = nrxi_clamp_f32(nrxi_abs_f32(x), 0.0f, 4.0f), z = a * a, t = 1.0f / (a + 2.0f);
    float w =
        NRXI_P5(f32, t, 0.00181794178f, 0.519479752f, 1.5866673f, -0.513827384f, 10.1837015f, -7.38348389f);
    float e = NRXI_P6(f32, z, 0.128379166f, -0.37612626f, 0.112835854f, -0.0268538129f, 0.00518832868f,
                      -0.000801020418f, 7.85389784e-05f);
    w = 1.0f - nrxi_exp_lane_f32(-z, fused) * w;
    return nrxi_sign_f32(nrxi_pick_f32(a < 1.0f, nrxi_fma_f32(fused, a, e, a), w), x);
}
NRXI_LANE double nrxi_erf_lane_f64(double x, int fused)
{
    double a = nrxi_clamp_f64(nrxi_abs_f64(x), 0.0, 6.0), z = a * a, t = 1.0 / (a + 2.0);
    double w = NRXI_P12(f64, t, -3.0785373762786284e-06, 0.5643750488716891, 1.1233142152727233,
                        2.0578809044560122, 1.9026513162343388, 9.8569280952365883, -40.983357436480254,
                        160.79793178895849, -509.83375433405456, 993.16375697811532, -1151.2355845472111,
                        746.81849599299301, -211.76781374332234);
    double e =
        NRXI_P12(f64, z, 0.12837916709551259, -0.37612638903183748, 0.11283791670954857,
                 -0.026866170645072893, 0.0052239776247808428, -0.00085483269787408852, 0.0001205533103685224,
                 -1.4925593505763834e-05, 1.6460972799145014e-06, -1.6350025035340656e-07,
                 1.4657878599447886e-08, -1.1365661231481423e-09, 5.9452538810022241e-11);
    w = 1.0 - nrxi_exp_lane_f64(-z, fused) * w;
    return nrxi_sign_f64(nrxi_pick_f64(a < 1.0, nrxi_fma_f64(fused, a, e, a), w), x);
}

/* -- sin and cos: x = n pi/2 + r + low, |r| <= pi/4 and a little; n mod 4 says which of the two with which
   sign -- */

/* |x| <= NRXI_TRIG_LIMIT: three exact products of n with 33 bits of pi/2 each, and the rest */
#define NRXI_TRIG_LIMIT 1e6
NRXI_LANE double nrxi_trig_split_f64(double x, uint64_t *n, double *low)
{
    double t = nrxi_round_f64(x * 0.63661977236758138 + 6755399441055744.0), q = t - 6755399441055744.0;
    double r1 = x - q * (double)1.5707963267341256, w2 = q * (double)6.077100506303966e-11,
           r2 = nrxi_round_f64(r1 - w2);
    double v2 = nrxi_round_f64(r2 - r1), e2 = nrxi_round_f64(r1 - nrxi_round_f64(r2 - v2)) - (w2 + v2);
    double w3 = q * (double)2.0222662487111665e-21, r3 = nrxi_round_f64(r2 - w3);
    double v3 = nrxi_round_f64(r3 - r2), e3 = nrxi_round_f64(r2 - nrxi_round_f64(r3 - v3)) - (w3 + v3);
    double rest = (e2 + e3) - q * 8.4784276603688996e-32, r = nrxi_round_f64(r3 + rest);
    *n = nrxi_bits_f64(t);
    *low = rest - nrxi_round_f64(r - r3);
    return r;
}

/* sin(r + low) for even n, cos(r + low) for odd n, negated when n & 2 */
NRXI_LANE double nrxi_trig_value_f64(double r, double low, uint64_t n, int fused)
{
    double z = r * r, half = 0.5 * z, one = 1.0 - half;
    double s = NRXI_P5(f64, z, -0.16666666666666632, 0.0083333333333223715, -0.00019841269829772604,
                       2.7557313679293943e-06, -2.505075606910539e-08, 1.5896672978013178e-10);
    double c = NRXI_P5(f64, z, 0.041666666666666602, -0.0013888888888874066, 2.480158728944419e-05,
                       -2.755731434087981e-07, 2.0875721656351586e-09, -1.1359561217754339e-11);
    s = r + nrxi_fma_f64(fused, z * r, s, low * one);
    c = one + (((1.0 - one) - half) + nrxi_fma_f64(fused, z * z, c, -(r * low)));
    s = nrxi_from_bits_f64(nrxi_bits_f64(nrxi_pick_f64((int)(n & 1u), c, s)) ^ ((n & 2u) << 62));
    return s;
}

/* any |x| >= 2^-10: M 2^e 2/pi mod 4 from 192 bits of 2/pi (Payne and Hanek); infinities and NaN give NaN */
NRXI_FN double nrxi_trig_huge_f64(double x, uint64_t *n, double *low)
{
    static const uint32_t two_over_pi[40] = {
        0,           0,           0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u,
        0x3c439041u, 0xfe5163abu, 0xdebbc561u, 0xb7246e3au, 0x424dd2e0u, 0x06492eeau, 0x09d1921cu,
        0xfe1deb1cu, 0xb129a73eu, 0xe88235f5u, 0x2ebb4484u, 0xe99c7026u, 0xb45f7e41u, 0x3991d639u,
        0x835339f4u, 0x9c845f8bu, 0xbdf9283bu, 0x1ff897ffu, 0xde05980fu, 0xef2f118bu, 0x5a0a6d1fu,
        0x6d367ecfu, 0x27cb09b7u, 0x4f463f66u, 0x9e5fea2du, 0x7527bac7u, 0xebe5f17bu, 0x3d0739f7u,
        0x8a5292eau, 0x6bfb5fb1u, 0x1f8d5d08u, 0x56033046u, 0xfc7b6babu};
    uint64_t bits = nrxi_bits_f64(x), m = (bits & 0xfffffffffffffu) | 0x10000000000000u, carry, t;
    uint32_t w[6], f[6], lo32 = (uint32_t)(m & 0xffffffffu), hi32 = (uint32_t)(m >> 32), flip;
    int e = (int)(bits >> 52 & 0x7ffu) - 1075, first, shift, i, top;
    double a, b, c, y, scale;
    *n = 0;
    *low = 0.0;
    if (e == 972) return x - x;
    first = (e - 2 + 64) /
            32; /* the window starts at bit e - 2 of 2/pi, the table 64 bits before its first bit */
    shift = (e - 2 + 64) % 32;
    for (i = 0; i < 6; i++) /* w[0] is the lowest limb */
        w[5 - i] = (uint32_t)(((((uint64_t)two_over_pi[first + i] << 32) | two_over_pi[first + i + 1]) >>
                               (32 - shift)) &
                              0xffffffffu);
    for (carry = 0, i = 0; i < 6; i++) {   /* f = m * w mod 2^192; its top two bits are n mod 4 */
        t = (uint64_t)w[i] * lo32 + (carry & 0xffffffffu);
        carry >>= 32;
        if (i > 0) { carry += t >> 32; t = (t & 0xffffffffu) + (uint64_t)w[i - 1] * hi32; }
        f[i] = (uint32_t)(t & 0xffffffffu);
        carry += t >> 32;
    }
    *n = f[5] >> 30;
    f[5] &= 0x3fffffffu;
    flip = f[5] >> 29; /* fraction >= 1/2: the next multiple of pi/2, remainder negative */
    if (flip) {
        *n += 1;
        for (carry = 1, i = 0; i < 6; i++) {
            carry += (uint64_t)(~f[i]) & 0xffffffffu;
            f[i] = (uint32_t)(carry & 0xffffffffu);
            carry >>= 32;
        }
        f[5] &= 0x3fffffffu;
    }
    for (scale = 4.0 / 4294967296.0, top = 5; top > 2 && f[top] == 0; top--) scale *= 1.0 / 4294967296.0;
    for (shift = 0; shift < 31 && !(f[top] >> (31 - shift)); shift++) scale *= 0.5;
    t = (uint64_t)f[top] << 32 | f[top - 1];
    t = shift ? t << shift | f[top - 2] >> (32 - shift) : t;
    a = (double)(t >> 32);                 /* fraction = scale (a + 2^-32 b + 2^-64 c) */
    b = (double)(t & 0xffffffffu) * (1.0 / 4294967296.0);
    c = (double)(uint32_t)(f[top - 2] << shift) * (1.0 / 4294967296.0 / 4294967296.0);
    y = a * (double)1.570796012878418;             /* 21 bits of pi/2: an exact product */
    b = a * (double)3.1391647865048131e-07 +
        (b * (double)1.570796012878418 +
         (b * (double)3.1391647865048131e-07 + c * (double)1.570796012878418));
    c = nrxi_round_f64(y + b);
    b = b - nrxi_round_f64(c - y);
    if (flip) scale = -scale;
    if (bits >> 63) { scale = -scale; *n = (uint64_t)0 - *n; }
    *low = b * scale;
    return c * scale;
}

NRXI_LANE double nrxi_sin_lane_f64(double x, int fused)
{
    uint64_t n;
    double low, r = nrxi_trig_split_f64(x, &n, &low);
    return nrxi_pick_f64(nrxi_abs_f64(x) < 1e-9, x, nrxi_trig_value_f64(r, low, n, fused));
}
NRXI_LANE double nrxi_cos_lane_f64(double x, int fused)
{
    uint64_t n;
    double low, r = nrxi_trig_split_f64(x, &n, &low);
    return nrxi_trig_value_f64(r, low, n + 1u, fused);
}
/* f32 in f64 arithmetic: no low part is needed and few terms */
NRXI_LANE float nrxi_trig_lane_f32(float x, uint64_t turn, int fused)
{
    double t = nrxi_round_f64((double)x * 0.63661977236758138 + 6755399441055744.0),
           q = t - 6755399441055744.0, z, s, c;
    uint64_t n = nrxi_bits_f64(t) + turn;
    double r = ((double)x - q * (double)1.5707963267341256) - q * (double)6.0771005065061922e-11;
    z = r * r;
    s = NRXI_P3(f64, z, -0.16666666641382344, 0.0083333293622429479, -0.00019839328028965726,
                2.7182512979930861e-06);
    c = NRXI_P3(f64, z, 0.04166666662269617, -0.0013888883742117551, 2.4799516964780921e-05,
                -2.7209978739561788e-07);
    s = nrxi_fma_f64(fused, z * r, s, r);
    c = nrxi_fma_f64(fused, z * z, c, 1.0 - 0.5 * z);
    return (float)nrxi_from_bits_f64(nrxi_bits_f64(nrxi_pick_f64((int)(n & 1u), c, s)) ^ ((n & 2u) << 62));
}
NRXI_LANE float nrxi_sin_lane_f32(float x, int fused)
{
    return nrxi_pick_f32(nrxi_abs_f32(x) < 1e-9f, x, nrxi_trig_lane_f32(x, 0, fused));
}
NRXI_LANE float nrxi_cos_lane_f32(float x, int fused) { return nrxi_trig_lane_f32(x, 1, fused); }

/* the lanes beyond NRXI_TRIG_LIMIT, one by one; turn 0: sin, 1: cos */
NRXI_FN double nrxi_trig_far_f64(double x, uint64_t turn)
{
    uint64_t n;
    double low, r = nrxi_trig_huge_f64(x, &n, &low);
    return nrxi_trig_value_f64(r, low, n + turn, 0);
}
NRXI_FN float nrxi_trig_far_f32(float x, uint64_t turn) { return (float)nrxi_trig_far_f64((double)x, turn); }

/* >>> twin f64 */
NRXI_LANE int nrxi_trig_is_far_f64(size_t n, const double *x)
{
    size_t i;
    int far_lanes = 0;
    for (i = 0; i < n; i++) far_lanes |= !(nrxi_abs_f64(x[i]) <= (double)NRXI_TRIG_LIMIT);
    return far_lanes;
}
NRXI_FN void nrxi_trig_mend_f64(size_t n, const double *x, double *y, uint64_t turn)
{
    size_t i;
    for (i = 0; i < n; i++)
        if (!(nrxi_abs_f64(x[i]) <= (double)NRXI_TRIG_LIMIT)) y[i] = nrxi_trig_far_f64(x[i], turn);
}
/* === twin f32 */
NRXI_LANE int nrxi_trig_is_far_f32(size_t n, const float *x)
{
    size_t i;
    int far_lanes = 0;
    for (i = 0; i < n; i++) far_lanes |= !(nrxi_abs_f32(x[i]) <= (float)NRXI_TRIG_LIMIT);
    return far_lanes;
}
NRXI_FN void nrxi_trig_mend_f32(size_t n, const float *x, float *y, uint64_t turn)
{
    size_t i;
    for (i = 0; i < n; i++)
        if (!(nrxi_abs_f32(x[i]) <= (float)NRXI_TRIG_LIMIT)) y[i] = nrxi_trig_far_f32(x[i], turn);
}
/* <<< twin */
#define NRXI_MEND_NONE(F, n, x, y)
#define NRXI_MEND_SIN(F, n, x, y) if (nrxi_trig_is_far_##F(n, x)) nrxi_trig_mend_##F(n, x, y, 0);
#define NRXI_MEND_COS(F, n, x, y) if (nrxi_trig_is_far_##F(n, x)) nrxi_trig_mend_##F(n, x, y, 1);

/* -- arrays: NRXI_LANES at a time; a short last group is padded, so that a value does not depend on its place
   -- */

#define NRXI_VBODY(target, name, lane, elem, F, fused, MEND)                       \
    target NRXI_FN void name(size_t n, const elem *x, elem *y)                     \
    {                                                                              \
        elem in[NRXI_LANES], out[NRXI_LANES];                                      \
        size_t m, j;                                                               \
        for (; n > 0; n -= m, x += m, y += m) {                                    \
            const elem *from = x;                                                  \
            m = NRXI_LANES;                                                        \
            if (n < m) {                                                           \
                m = n;                                                             \
                memset(in, 0, sizeof in);                                          \
                memcpy(in, x, m * sizeof *x);                                      \
                from = in;                                                         \
            }                                                                      \
            for (j = 0; j < NRXI_LANES; j++) out[j] = lane(from[j], fused);        \
            MEND(F, NRXI_LANES, from, out)                                         \
            if (m == NRXI_LANES) memcpy(y, out, sizeof out);                       \
            else memcpy(y, out, m * sizeof *y);                                    \
        }                                                                          \
    }
#if defined(__FP_FAST_FMAF) && defined(__FP_FAST_FMA)
#define NRXI_FUSED 1
#else
#define NRXI_FUSED 0
#endif
/* one by one: without SIMD, and on x86 without AVX2 */
#define NRXI_VSCALAR(name, lane, elem, F, MEND)                         \
    NRXI_FN void name(size_t n, const elem *x, elem *y)                 \
    {                                                                   \
        for (; n > 0; n--, x++, y++) {                                  \
            elem in = *x;                                               \
            *y = lane(in, 0);                                           \
            MEND(F, 1, &in, y)                                          \
        }                                                               \
    }
#if defined(NRXI_X86)
#define NRXI_VFUNCTION(fn, elem, F, MEND)                                                                    \
    NRXI_VBODY(NRXI_AVX512, nrxi_v##fn##_avx512_##F, nrxi_##fn##_lane_##F, elem, F, 1, MEND)                 \
    NRXI_VBODY(NRXI_AVX2, nrxi_v##fn##_avx2_##F, nrxi_##fn##_lane_##F, elem, F, 1, MEND)                     \
    NRXI_VSCALAR(nrxi_v##fn##_plain_##F, nrxi_##fn##_lane_##F, elem, F, MEND)                                \
    NRXI_FN void nrxi_v##fn##_##F(size_t n, const elem *x, elem *y)                                          \
    {                                                                                                        \
        if (nrxi_cpu_avx512()) nrxi_v##fn##_avx512_##F(n, x, y);                                             \
        else if (nrxi_cpu_avx2()) nrxi_v##fn##_avx2_##F(n, x, y);                                            \
        else nrxi_v##fn##_plain_##F(n, x, y);                                                                \
    }
#elif defined(NRXI_VEC)
#define NRXI_VFUNCTION(fn, elem, F, MEND)                                                                    \
    NRXI_VBODY(, nrxi_v##fn##_##F, nrxi_##fn##_lane_##F, elem, F, NRXI_FUSED, MEND)
#else
#define NRXI_VFUNCTION(fn, elem, F, MEND) NRXI_VSCALAR(nrxi_v##fn##_##F, nrxi_##fn##_lane_##F, elem, F, MEND)
#endif
#define NRXI_VFUNCTIONS(elem, F)                        \
    NRXI_VFUNCTION(exp, elem, F, NRXI_MEND_NONE)        \
    NRXI_VFUNCTION(expm1, elem, F, NRXI_MEND_NONE)      \
    NRXI_VFUNCTION(log, elem, F, NRXI_MEND_NONE)        \
    NRXI_VFUNCTION(log1p, elem, F, NRXI_MEND_NONE)      \
    NRXI_VFUNCTION(tanh, elem, F, NRXI_MEND_NONE)       \
    NRXI_VFUNCTION(sigmoid, elem, F, NRXI_MEND_NONE)    \
    NRXI_VFUNCTION(softplus, elem, F, NRXI_MEND_NONE)   \
    NRXI_VFUNCTION(erf, elem, F, NRXI_MEND_NONE)        \
    NRXI_VFUNCTION(sin, elem, F, NRXI_MEND_SIN)         \
    NRXI_VFUNCTION(cos, elem, F, NRXI_MEND_COS)
NRXI_VFUNCTIONS(float, f32)
NRXI_VFUNCTIONS(double, f64)
#elif NRXI_MATH_VERSION != 2916428630
#error "nrx: headers with different versions of the math block are mixed in one translation unit"
#endif
/* <<< nrx math (implementation) */
/* >>> nrx gemm (implementation) */
#ifndef NRXI_GEMM_VERSION
#define NRXI_GEMM_VERSION 1720457238
/* C = alpha op(A) op(B) + beta C, row-major. Both operands are seen through two strides, so that a transpose
   is a swap of strides. A register tile of mr x nr entries of C is summed over some hundred terms by
   one of the `tile` kernels, the only code that differs between instruction sets, then scaled into C. Tiles
   are fed in one of four ways:
     direct  A is read in place, B in place or through one panel on the stack: small and medium problems
     packed  B, and A where that pays, are first copied into panels in the caller's workspace: large problems
     stream  few rows (or columns) of C are kept in the cache while the long operand passes by, row by row
     dot     the same when the long operand lies the other way: scalar products
   Work is cut by problem size alone and no sum is split over threads: the bits do not depend on their number.
   Blocking as in K. Goto and R. van de Geijn, Anatomy of high-performance matrix multiplication,
   ACM TOMS 34. */
#if defined(NRXI_X86)
#include <immintrin.h>
#endif
#if defined(NRX_USE_CBLAS)
#if !defined(NRX_CBLAS_HEADER)
#define NRX_CBLAS_HEADER <cblas.h>
#endif
#include NRX_CBLAS_HEADER
#define NRXI_GEMM_CBLAS_F32 cblas_sgemm
#define NRXI_GEMM_CBLAS_F64 cblas_dgemm
#endif

enum {
    NRXI_GEMM_KC = 256,          /* direct: terms per pass over a tile; its panel of B is on the stack */
    NRXI_GEMM_PACK_KC = 512,     /* packed: terms per pass; panels of B come from the L2 cache */
    NRXI_GEMM_SUPER = 3072,      /* packed: rows (and columns) at a time; bounds the workspace */
    NRXI_GEMM_MC = 96,           /* packed: rows of a chunk: its part of A stays in the L2 cache */
    NRXI_GEMM_MC_LONG = 256,     /* packed: the same in f64 when C has 1024 rows or more */
    NRXI_GEMM_NC = 512,          /* packed: columns of a chunk */
    NRXI_GEMM_STREAM_KC = 32,    /* stream: rows of B read side by side */
    NRXI_GEMM_STREAM_FAR = 8,    /* stream: the same when B is too large for the caches */
    NRXI_GEMM_STREAM_SUMS = 4096, /* stream: sums kept at a time */
    NRXI_GEMM_LINE_KC = 64,      /* stream by lines: rows of B read side by side */
    NRXI_GEMM_LINE_BYTES = 65536, /* stream by lines: bytes of sums kept at a time */
    NRXI_GEMM_DOT_KC = 2048,     /* dot: terms per pass, at most */
#if defined(NRXI_X86)
    NRXI_GEMM_DOT_BYTES = 65536, /* dot: bytes of the short operand brought into order, on the stack */
#else
    NRXI_GEMM_DOT_BYTES = 16384, /* WebAssembly and musl's threads have small stacks */
#endif
    NRXI_GEMM_DOT_ROWS = 6,      /* dot: rows of the long operand at a time */
    NRXI_GEMM_SKINNY = 16,       /* stream, dot: rows or columns of C, at most */
    NRXI_GEMM_MR = 8,            /* rows, and bytes per row, of the largest tile of any kernel */
    NRXI_GEMM_ROW_BYTES = 128
};

#define NRXI_GEMM_CUT 1e6 /* multiplications from which a product is cut into chunks */

/* What may be skipped: see nrxi_gemm_part_f64. */
enum {
    NRXI_GEMM_LOWER = 1,
    NRXI_GEMM_A_LOWER = 2,
    NRXI_GEMM_A_UPPER = 4,
    NRXI_GEMM_B_LOWER = 8,
    NRXI_GEMM_B_UPPER = 16
};

NRXI_FN size_t nrxi_gemm_min(size_t a, size_t b) { return a < b ? a : b; }
NRXI_FN size_t nrxi_gemm_max(size_t a, size_t b) { return a > b ? a : b; }
NRXI_FN size_t nrxi_gemm_round(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }
NRXI_FN int nrxi_gemm_fits_int(size_t a, size_t b, size_t c)
{
    return a <= 0x7fffffff && b <= 0x7fffffff && c <= 0x7fffffff;
}
NRXI_FN void nrxi_gemm_jobs(int serial, const nrx_env *env, size_t chunks,
                            void (*job)(void *arg, size_t chunk), void *arg)
{
    size_t chunk;
    if (!serial) nrxi_parallel(env, chunks, job, arg);
    else for (chunk = 0; chunk < chunks; chunk++) job(arg, chunk);
}

/* Vector tiles, rows times one or two vectors. X is applied to each row number, S names the vector's SPLAT
   and FMA. */
#define NRXI_GEMM_ROWS3(X, S) X(0, S) X(1, S) X(2, S)
#define NRXI_GEMM_ROWS4(X, S) NRXI_GEMM_ROWS3(X, S) X(3, S)
#define NRXI_GEMM_ROWS6(X, S) NRXI_GEMM_ROWS4(X, S) X(4, S) X(5, S)
#define NRXI_GEMM_ROWS8(X, S) NRXI_GEMM_ROWS6(X, S) X(6, S) X(7, S)
#define NRXI_GEMM_ROWS12(X, S) NRXI_GEMM_ROWS8(X, S) X(8, S) X(9, S) X(10, S) X(11, S)
#define NRXI_GEMM_ROWS16(X, S) NRXI_GEMM_ROWS12(X, S) X(12, S) X(13, S) X(14, S) X(15, S)
#define NRXI_GEMM_INIT1(r, S) v x##r = zero; __builtin_prefetch(c + r * ldc, 1);
#define NRXI_GEMM_INIT2(r, S) v y##r = zero; __builtin_prefetch(c + r * ldc + 2 * lanes - 1, 1);
#define NRXI_GEMM_STEP1(r, S)                                  \
    {                                                          \
        const v t = NRXI_GEMM_SPLAT_##S(a[r * ars]);           \
        x##r = NRXI_GEMM_FMA_##S(t, b0, x##r);                 \
    }
#define NRXI_GEMM_STEP2(r, S)                                  \
    {                                                          \
        const v t = NRXI_GEMM_SPLAT_##S(a[r * ars]);           \
        x##r = NRXI_GEMM_FMA_##S(t, b0, x##r);                 \
        y##r = NRXI_GEMM_FMA_##S(t, b1, y##r);                 \
    }
#define NRXI_GEMM_STORE1(r, S)                                 \
    x##r *= scale;                                             \
    if (beta != 0) x##r += keep * (v)*(vu *)(c + r * ldc);     \
    *(vu *)(c + r * ldc) = x##r;
#define NRXI_GEMM_STORE2(r, S)                                       \
    y##r *= scale;                                                   \
    if (beta != 0) y##r += keep * (v)*(vu *)(c + r * ldc + lanes);   \
    *(vu *)(c + r * ldc + lanes) = y##r;
/* C tile = alpha sum_p a[r*ars + p*acs] b[p*brs + j] + beta C tile */
#define NRXI_GEMM_TILE1(name, target, elem, vec, ROWS, S)                                                 \
    target NRXI_FN void name(size_t k, const elem *a, size_t ars, size_t acs, const elem *b, size_t brs,  \
                             elem alpha, elem beta, elem *c, size_t ldc)                                  \
    {                                                                                                     \
        typedef vec v;                                                                                    \
        typedef vec##u vu;                                                                                \
        const v zero = {0}, scale = NRXI_GEMM_SPLAT_##S(alpha), keep = NRXI_GEMM_SPLAT_##S(beta);         \
        ROWS(NRXI_GEMM_INIT1, S)                                                                          \
        for (; k > 0; k--, a += acs, b += brs) {                                                          \
            const v b0 = *(const vu *)b;                                                                  \
            ROWS(NRXI_GEMM_STEP1, S)                                                                      \
        }                                                                                                 \
        ROWS(NRXI_GEMM_STORE1, S)                                                                         \
    }
#define NRXI_GEMM_TILE2(name, target, elem, vec, ROWS, S)                                                 \
    target NRXI_FN void name(size_t k, const elem *a, size_t ars, size_t acs, const elem *b, size_t brs,  \
                             elem alpha, elem beta, elem *c, size_t ldc)                                  \
    {                                                                                                     \
        typedef vec v;                                                                                    \
        typedef vec##u vu;                                                                                \
        enum { lanes = sizeof(v) / sizeof(elem) };                                                        \
        const v zero = {0}, scale = NRXI_GEMM_SPLAT_##S(alpha), keep = NRXI_GEMM_SPLAT_##S(beta);         \
        ROWS(NRXI_GEMM_INIT1, S)                                                                          \
        ROWS(NRXI_GEMM_INIT2, S)                                                                          \
        for (; k > 0; k--, a += acs, b += brs) {                                                          \
            const v b0 = *(const vu *)b, b1 = *(const vu *)(b + lanes);                                   \
            ROWS(NRXI_GEMM_STEP2, S)                                                                      \
        }                                                                                                 \
        ROWS(NRXI_GEMM_STORE1, S)                                                                         \
        ROWS(NRXI_GEMM_STORE2, S)                                                                         \
    }
/* Scalar products of six rows x of the long operand with V columns-vectors y: a vector holds 16 bytes of each
   of its columns, so that 16 bytes of a row meet them all and no lane is idle. k is a multiple of those 16
   bytes' terms; the terms of one column are left unfolded: sums[row][column][term % (16 bytes)]. While a row
   is used, the one `ahead` elements further is fetched. */
#define NRXI_GEMM_DOTINIT1(r, S) v w##r = zero;
#define NRXI_GEMM_DOTINIT2(r, S) NRXI_GEMM_DOTINIT1(r, S) v x##r = zero;
#define NRXI_GEMM_DOTINIT3(r, S) NRXI_GEMM_DOTINIT2(r, S) v y##r = zero;
#define NRXI_GEMM_DOTINIT4(r, S) NRXI_GEMM_DOTINIT3(r, S) v z##r = zero;
#define NRXI_GEMM_DOTADD1(r, S) w##r = NRXI_GEMM_FMA_##S(t, *(const vu *)y, w##r);
#define NRXI_GEMM_DOTADD2(r, S)                                                                              \
    NRXI_GEMM_DOTADD1(r, S) x##r = NRXI_GEMM_FMA_##S(t, *(const vu *)(y + lanes), x##r);
#define NRXI_GEMM_DOTADD3(r, S)                                                                              \
    NRXI_GEMM_DOTADD2(r, S) y##r = NRXI_GEMM_FMA_##S(t, *(const vu *)(y + 2 * lanes), y##r);
#define NRXI_GEMM_DOTADD4(r, S)                                                                              \
    NRXI_GEMM_DOTADD3(r, S) z##r = NRXI_GEMM_FMA_##S(t, *(const vu *)(y + 3 * lanes), z##r);
#define NRXI_GEMM_DOTEND1(r, S) *(vu *)sums = w##r; sums += lanes;
#define NRXI_GEMM_DOTEND2(r, S) NRXI_GEMM_DOTEND1(r, S) *(vu *)sums = x##r; sums += lanes;
#define NRXI_GEMM_DOTEND3(r, S) NRXI_GEMM_DOTEND2(r, S) *(vu *)sums = y##r; sums += lanes;
#define NRXI_GEMM_DOTEND4(r, S) NRXI_GEMM_DOTEND3(r, S) *(vu *)sums = z##r; sums += lanes;
#define NRXI_GEMM_DOTSTEP(r, S, V) { const v t = NRXI_GEMM_QUAD_##S(x[r] + p); NRXI_GEMM_DOTADD##V(r, S) }
#define NRXI_GEMM_DOTFETCH(r, S) __builtin_prefetch(x[r] + (p + ahead), 0, 2);
#define NRXI_GEMM_DOT(set, target, elem, F, vec, V, S)                                                       \
    target NRXI_FN void nrxi_gemm_dot##V##_##set##_##F(size_t k, const elem *const *x, const elem *y,        \
                                                       size_t ahead, elem *sums)                             \
    {                                                                                                        \
        typedef vec v;                                                                                       \
        typedef vec##u vu;                                                                                   \
        enum { lanes = sizeof(v) / sizeof(elem), step = 16 / sizeof(elem) };                                 \
        const v zero = {0};                                                                                  \
        size_t p;                                                                                            \
        NRXI_GEMM_ROWS6(NRXI_GEMM_DOTINIT##V, S)                                                             \
        for (p = 0; p < k; p += step, y += V * lanes) {                                                      \
            if (p % (4 * step) == 0) { NRXI_GEMM_ROWS6(NRXI_GEMM_DOTFETCH, S) }                              \
            NRXI_GEMM_DOTSTEP(0, S, V)                                                                       \
            NRXI_GEMM_DOTSTEP(1, S, V)                                                                       \
            NRXI_GEMM_DOTSTEP(2, S, V)                                                                       \
            NRXI_GEMM_DOTSTEP(3, S, V)                                                                       \
            NRXI_GEMM_DOTSTEP(4, S, V)                                                                       \
            NRXI_GEMM_DOTSTEP(5, S, V)                                                                       \
        }                                                                                                    \
        NRXI_GEMM_ROWS6(NRXI_GEMM_DOTEND##V, S)                                                              \
    }
/* A tile of one vector of columns; a: panel of `rows`. While line p of B is used, the one at next + p*brs is
   fetched. */
#define NRXI_GEMM_LINE(name, target, elem, vec, ROWS, rows, S)                                               \
    target NRXI_FN void name(size_t k, const elem *a, const elem *b, size_t brs, const elem *next,           \
                             elem alpha, elem beta, elem *c, size_t ldc)                                     \
    {                                                                                                        \
        typedef vec v;                                                                                       \
        typedef vec##u vu;                                                                                   \
        enum { ars = 1 };                                                                                    \
        const v zero = {0}, scale = NRXI_GEMM_SPLAT_##S(alpha), keep = NRXI_GEMM_SPLAT_##S(beta);            \
        ROWS(NRXI_GEMM_INIT1, S)                                                                             \
        for (; k > 0; k--, a += rows, b += brs, next += brs) {                                               \
            const v b0 = *(const vu *)b;                                                                     \
            __builtin_prefetch(next, 0, 2);                                                                  \
            ROWS(NRXI_GEMM_STEP1, S)                                                                         \
        }                                                                                                    \
        ROWS(NRXI_GEMM_STORE1, S)                                                                            \
    }
/* The kernels of an instruction set: four tiles (0 whole, 1 half the rows, 2 half the columns, 3 both) and
   two for scalar products. */
#define NRXI_GEMM_KIT(set, target, elem, F, vec, ROWS, HALF, S)                                              \
    NRXI_GEMM_DOT(set, target, elem, F, vec, 1, S)                                                           \
    NRXI_GEMM_DOT(set, target, elem, F, vec, 2, S)                                                           \
    NRXI_GEMM_TILE2(nrxi_gemm_tile_##set##_##F, target, elem, vec, ROWS, S)                                  \
    NRXI_GEMM_TILE2(nrxi_gemm_tile1_##set##_##F, target, elem, vec, HALF, S)                                 \
    NRXI_GEMM_TILE1(nrxi_gemm_tile2_##set##_##F, target, elem, vec, ROWS, S)                                 \
    NRXI_GEMM_TILE1(nrxi_gemm_tile3_##set##_##F, target, elem, vec, HALF, S)
#if defined(NRXI_VEC)
#define NRXI_GEMM_SPLAT_F32X4(s) {s, s, s, s}
#define NRXI_GEMM_SPLAT_F64X2(s) {s, s}
#define NRXI_GEMM_QUAD_F32X4(x) *(const nrxi_f32x4u *)(x)
#define NRXI_GEMM_QUAD_F64X2(x) *(const nrxi_f64x2u *)(x)
#define NRXI_GEMM_FMA_F32X4(a, b, c) ((a) * (b) + (c))
#define NRXI_GEMM_FMA_F64X2(a, b, c) ((a) * (b) + (c))
NRXI_GEMM_KIT(v16, , float, f32, nrxi_f32x4, NRXI_GEMM_ROWS6, NRXI_GEMM_ROWS3, F32X4)
NRXI_GEMM_KIT(v16, , double, f64, nrxi_f64x2, NRXI_GEMM_ROWS6, NRXI_GEMM_ROWS3, F64X2)
#endif
#if defined(NRXI_X86)
#define NRXI_GEMM_SPLAT_F32X8(s) (nrxi_f32x8)_mm256_set1_ps(s)
#define NRXI_GEMM_SPLAT_F64X4(s) (nrxi_f64x4)_mm256_set1_pd(s)
#define NRXI_GEMM_SPLAT_F32X16(s) (nrxi_f32x16)_mm512_set1_ps(s)
#define NRXI_GEMM_SPLAT_F64X8(s) (nrxi_f64x8)_mm512_set1_pd(s)
#define NRXI_GEMM_QUAD_F32X8(x) (nrxi_f32x8)_mm256_broadcast_ps((const __m128 *)(x))
#define NRXI_GEMM_QUAD_F64X4(x) (nrxi_f64x4)_mm256_broadcast_pd((const __m128d *)(x))
#define NRXI_GEMM_QUAD_F32X16(x) (nrxi_f32x16)_mm512_maskz_broadcast_f32x4((__mmask16)-1, _mm_loadu_ps(x))
#define NRXI_GEMM_QUAD_F64X8(x) (nrxi_f64x8)_mm512_maskz_broadcast_f64x2((__mmask8)-1, _mm_loadu_pd(x))
#define NRXI_GEMM_FMA_F32X8(a, b, c) (nrxi_f32x8)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c))
#define NRXI_GEMM_FMA_F64X4(a, b, c) (nrxi_f64x4)_mm256_fmadd_pd((__m256d)(a), (__m256d)(b), (__m256d)(c))
#define NRXI_GEMM_FMA_F32X16(a, b, c) (nrxi_f32x16)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c))
#define NRXI_GEMM_FMA_F64X8(a, b, c) (nrxi_f64x8)_mm512_fmadd_pd((__m512d)(a), (__m512d)(b), (__m512d)(c))
NRXI_GEMM_KIT(avx2, NRXI_AVX2, float, f32, nrxi_f32x8, NRXI_GEMM_ROWS6, NRXI_GEMM_ROWS3, F32X8)
NRXI_GEMM_KIT(avx2, NRXI_AVX2, double, f64, nrxi_f64x4, NRXI_GEMM_ROWS6, NRXI_GEMM_ROWS3, F64X4)
NRXI_GEMM_KIT(avx512, NRXI_AVX512, float, f32, nrxi_f32x16, NRXI_GEMM_ROWS8, NRXI_GEMM_ROWS4, F32X16)
NRXI_GEMM_KIT(avx512, NRXI_AVX512, double, f64, nrxi_f64x8, NRXI_GEMM_ROWS8, NRXI_GEMM_ROWS4, F64X8)
NRXI_GEMM_DOT(avx512, NRXI_AVX512, float, f32, nrxi_f32x16, 3, F32X16)
NRXI_GEMM_DOT(avx512, NRXI_AVX512, float, f32, nrxi_f32x16, 4, F32X16)
NRXI_GEMM_DOT(avx512, NRXI_AVX512, double, f64, nrxi_f64x8, 3, F64X8)
NRXI_GEMM_DOT(avx512, NRXI_AVX512, double, f64, nrxi_f64x8, 4, F64X8)
NRXI_GEMM_LINE(nrxi_gemm_line8_f32, NRXI_AVX512, float, nrxi_f32x16, NRXI_GEMM_ROWS8, 8, F32X16)
NRXI_GEMM_LINE(nrxi_gemm_line12_f32, NRXI_AVX512, float, nrxi_f32x16, NRXI_GEMM_ROWS12, 12, F32X16)
NRXI_GEMM_LINE(nrxi_gemm_line16_f32, NRXI_AVX512, float, nrxi_f32x16, NRXI_GEMM_ROWS16, 16, F32X16)
NRXI_GEMM_LINE(nrxi_gemm_line8_f64, NRXI_AVX512, double, nrxi_f64x8, NRXI_GEMM_ROWS8, 8, F64X8)
NRXI_GEMM_LINE(nrxi_gemm_line12_f64, NRXI_AVX512, double, nrxi_f64x8, NRXI_GEMM_ROWS12, 12, F64X8)
NRXI_GEMM_LINE(nrxi_gemm_line16_f64, NRXI_AVX512, double, nrxi_f64x8, NRXI_GEMM_ROWS16, 16, F64X8)
#endif

enum { NRXI_GEMM_TURN_F32 = 4, NRXI_GEMM_TURN_F64 = 2 }; /* entries in 16 bytes */
/* Transposes that many rows of x (rows xs apart) into columns of out (columns `full` apart), as many whole
   vectors of the k entries as there are; the count of entries done. */
#if defined(NRXI_VEC)
NRXI_FN size_t nrxi_gemm_turn_f32(size_t k, const float *x, size_t xs, float *out, size_t full)
{
    size_t p;
    for (p = 0; p + 4 <= k; p += 4, x += 4, out += 4 * full) {
        const nrxi_f32x4 a = *(const nrxi_f32x4u *)x, b = *(const nrxi_f32x4u *)(x + xs);
        const nrxi_f32x4 c = *(const nrxi_f32x4u *)(x + 2 * xs), d = *(const nrxi_f32x4u *)(x + 3 * xs);
        const nrxi_f32x4 e = {a[0], b[0], c[0], d[0]}, f = {a[1], b[1], c[1], d[1]};
        const nrxi_f32x4 g = {a[2], b[2], c[2], d[2]}, h = {a[3], b[3], c[3], d[3]};
        *(nrxi_f32x4u *)out = e;
        *(nrxi_f32x4u *)(out + full) = f;
        *(nrxi_f32x4u *)(out + 2 * full) = g;
        *(nrxi_f32x4u *)(out + 3 * full) = h;
    }
    return p;
}
NRXI_FN size_t nrxi_gemm_turn_f64(size_t k, const double *x, size_t xs, double *out, size_t full)
{
    size_t p;
    for (p = 0; p + 2 <= k; p += 2, x += 2, out += 2 * full) {
        const nrxi_f64x2 a = *(const nrxi_f64x2u *)x, b = *(const nrxi_f64x2u *)(x + xs);
        const nrxi_f64x2 c = {a[0], b[0]}, d = {a[1], b[1]};
        *(nrxi_f64x2u *)out = c;
        *(nrxi_f64x2u *)(out + full) = d;
    }
    return p;
}
#endif

/* Asks for `rows` rows of one tile's bytes, `step` bytes apart, before they are needed. */
NRXI_FN void nrxi_gemm_prefetch(const void *at, size_t rows, size_t step)
{
#if defined(NRXI_VEC)
    const char *p = (const char *)at;
    for (; rows > 0; rows--, p += step) {
        __builtin_prefetch(p, 0, 2);
        __builtin_prefetch(p + NRXI_GEMM_ROW_BYTES / 2, 0, 2);
    }
#else
    (void)at; (void)rows; (void)step;
#endif
}

/* >>> twin f64 */
/* The tile in plain C: four rows of 32 bytes (one of them wide enough for every element type). */
NRXI_FN void nrxi_gemm_tile_c_f64(size_t k, const double *a, size_t ars, size_t acs, const double *b,
                                  size_t brs, double alpha, double beta, double *c, size_t ldc)
{
    enum { rows = 4, cols = 32 / sizeof(double) };
    double t[rows][cols], s;
    int r, j;
    for (r = 0; r < rows; r++)
        for (j = 0; j < cols; j++) t[r][j] = 0;
    for (; k > 0; k--, a += acs, b += brs)
        for (r = 0; r < rows; r++) {
            s = a[(size_t)r * ars];
            for (j = 0; j < cols; j++) t[r][j] += s * b[j];
        }
    for (r = 0; r < rows; r++, c += ldc)
        for (j = 0; j < cols; j++) c[j] = beta == 0 ? alpha * t[r][j] : alpha * t[r][j] + beta * c[j];
}

typedef void (*nrxi_gemm_tile_fn_f64)(size_t k, const double *a, size_t ars, size_t acs, const double *b,
                                      size_t brs, double alpha, double beta, double *c, size_t ldc);

/* One call as its jobs see it. */
typedef struct nrxi_gemm_call_f64 {
    size_t m, n, k;
    const double *a, *b;           /* op(A)[i][p] = a[i*ars + p*acs], op(B)[p][j] = b[p*brs + j*bcs] */
    double *c;                     /* C[i][j] = c[i*crs + j*ccs]; ccs is 1 but in skinny calls */
    size_t ars, acs, brs, bcs, crs, ccs;
    double alpha, beta;
    nrxi_gemm_tile_fn_f64 tile[4];  /* whole, half the rows, half the columns, both */
    void (*dot[4])(size_t k, const double *const *x, const double *y, size_t ahead, double *sums);
    size_t dots, dot_cols;         /* dot: the largest number of vectors, columns in each */
    void (*line[3])(size_t k, const double *a, const double *b, size_t brs, const double *next, double alpha,
                    double beta, double *c, size_t ldc); /* 8, 12 and 16 rows; or NULL */
    size_t mr, nr, mh, nh;         /* rows and columns of the whole tile and of its halves */
    size_t width, height;          /* direct: columns and rows of a chunk; skinny: columns */
    int serial;                    /* inside a job already: no threads */
    int part;                      /* what is known to be zero or not wanted: NRXI_GEMM_LOWER ... */
    double *pa, *pb;               /* packed: panels of A (NULL: A is read in place) and of B, for kc terms */
    size_t i0, rows, j0, cols;     /* packed: the part of C at hand */
    size_t p0, kc, mc, nc;
} nrxi_gemm_call_f64;

#define NRXI_GEMM_TAKE(set, F)                            \
    g->tile[0] = nrxi_gemm_tile_##set##_##F;              \
    g->tile[1] = nrxi_gemm_tile1_##set##_##F;             \
    g->tile[2] = nrxi_gemm_tile2_##set##_##F;             \
    g->tile[3] = nrxi_gemm_tile3_##set##_##F;             \
    g->dot[0] = nrxi_gemm_dot1_##set##_##F;               \
    g->dot[1] = nrxi_gemm_dot2_##set##_##F;
NRXI_FN void nrxi_gemm_choose_f64(nrxi_gemm_call_f64 *g)
{
#if defined(NRXI_VEC)
    g->dots = 2;
    g->dot_cols = 1;
    g->mr = 6;
    g->nr = 32 / sizeof(double);
#if defined(NRXI_X86)
    if (nrxi_cpu_avx512()) {
        NRXI_GEMM_TAKE(avx512, f64)
        g->line[0] = nrxi_gemm_line8_f64;
        g->line[1] = nrxi_gemm_line12_f64;
        g->line[2] = nrxi_gemm_line16_f64;
        g->dot[2] = nrxi_gemm_dot3_avx512_f64;
        g->dot[3] = nrxi_gemm_dot4_avx512_f64;
        g->dots = g->dot_cols = 4;
        g->mr = 8;
        g->nr = 128 / sizeof(double);
    } else if (nrxi_cpu_avx2()) {
        NRXI_GEMM_TAKE(avx2, f64)
        g->dot_cols = 2;
        g->nr = 64 / sizeof(double);
    } else
#endif
    {
        NRXI_GEMM_TAKE(v16, f64)
    }
    g->mh = g->mr / 2;
    g->nh = g->nr / 2;
#else
    g->tile[0] = g->tile[1] = g->tile[2] = g->tile[3] = nrxi_gemm_tile_c_f64;
    g->mr = g->mh = 4;
    g->nr = g->nh = 32 / sizeof(double);
#endif
}

/* A panel: out[p*full + i] = x[i*xs + p*ps] for i < count, 0 for count <= i < full, p < k. */
NRXI_FN void nrxi_gemm_pack_f64(size_t k, size_t count, size_t full, const double *x, size_t xs, size_t ps,
                                double *out)
{
    size_t i = 0, p;
    if (xs == 1) {
        for (p = 0; p < k; p++, x += ps, out += full) {
            for (i = 0; i + NRXI_GEMM_TURN_F64 <= count; i += NRXI_GEMM_TURN_F64)
                memcpy(out + i, x + i, NRXI_GEMM_TURN_F64 * sizeof *x);
            for (; i < count; i++) out[i] = x[i];
            for (; i < full; i++) out[i] = 0;
        }
        return;
    }
#if defined(NRXI_VEC)
    for (; ps == 1 && i + NRXI_GEMM_TURN_F64 <= count; i += NRXI_GEMM_TURN_F64) {
        size_t row, done = nrxi_gemm_turn_f64(k, x + i * xs, xs, out + i, full);
        for (p = done; p < k; p++)
            for (row = i; row < i + NRXI_GEMM_TURN_F64; row++) out[p * full + row] = x[row * xs + p];
    }
#endif
    for (; i < count; i++)
        for (p = 0; p < k; p++) out[p * full + i] = x[i * xs + p * ps];
    for (; i < full; i++)
        for (p = 0; p < k; p++) out[p * full + i] = 0;
}

/* Adds rows x cols entries of t (rows nr apart) to C at c: C = t + beta C. */
NRXI_FN void nrxi_gemm_merge_f64(const nrxi_gemm_call_f64 *g, size_t rows, size_t cols, const double *t,
                                 size_t ts, double beta, double *c)
{
    size_t i, j;
    for (i = 0; i < rows; i++)
        for (j = 0; j < cols; j++) {
            double *at = c + i * g->crs + j * g->ccs;
            *at = beta == 0 ? t[i * ts + j] : t[i * ts + j] + beta * *at;
        }
}

/* The terms of a tile at row i and column j that are not known to be zero: from *lo < k, less than *hi (which
   may be *lo or less: then there are none, but the tile is still to be scaled, in the pass of *lo). */
NRXI_FN void nrxi_gemm_terms_f64(const nrxi_gemm_call_f64 *g, size_t i, size_t j, size_t *lo, size_t *hi)
{
    *lo = 0;
    *hi = g->k;
    if ((g->part & NRXI_GEMM_A_UPPER)) *lo = i;
    if ((g->part & NRXI_GEMM_B_LOWER) && j > *lo) *lo = j;
    *lo = nrxi_gemm_min(*lo, g->k - 1);
    if ((g->part & NRXI_GEMM_A_LOWER)) *hi = nrxi_gemm_min(*hi, i + g->mr);
    if ((g->part & NRXI_GEMM_B_UPPER)) *hi = nrxi_gemm_min(*hi, j + g->nr);
}

/* One panel of B (cols columns from j, readable as far as the tile is wide) against m rows of A from row i0,
   k terms from p0: row i starts at a + (i - i0) * step; with step ars A is read in place, else it is in
   panels, padded with zeros. A tile that sticks out of C goes through a buffer. */
NRXI_FN void nrxi_gemm_sweep_f64(const nrxi_gemm_call_f64 *g, size_t i0, size_t m, size_t j, size_t cols,
                                 size_t p0, size_t k, const double *a, size_t step, size_t ars, size_t acs,
                                 const double *b, size_t brs, double *c)
{
    double rest[NRXI_GEMM_PACK_KC * NRXI_GEMM_MR], t[NRXI_GEMM_MR * NRXI_GEMM_ROW_BYTES / sizeof(double)];
    size_t i, rows;
    for (i = 0; i < m; i += g->mr, a += g->mr * step, c += g->mr * g->crs) {
        const double *pa = a, *pb = b;
        size_t few, height, narrow, width, wide = cols, terms = k, lo = 0, hi;
        rows = nrxi_gemm_min(m - i, g->mr);
        if (g->part) {
            if ((g->part & NRXI_GEMM_LOWER)) { /* right of the diagonal nothing is wanted */
                if (i0 + i + rows <= j) continue;
                if (i0 + i + rows <= j + g->nh) wide = nrxi_gemm_min(cols, g->nh);
            }
            nrxi_gemm_terms_f64(g, i0 + i, j, &lo, &hi);
            hi = nrxi_gemm_min(hi, p0 + k);
            terms = nrxi_gemm_max(lo, p0);
            if (lo >= p0 + k || (hi <= terms && lo < p0)) continue;
            pa += (terms - p0) * acs;
            pb += (terms - p0) * brs;
            terms = hi > terms ? hi - terms : 0;
        }
        few = rows <= g->mh;
        height = few ? g->mh : g->mr;
        narrow = wide <= g->nh;
        width = narrow ? g->nh : g->nr;
        if (rows == height && wide == width) {
            g->tile[few + 2 * narrow](terms, pa, ars, acs, pb, brs, g->alpha, lo < p0 ? (double)1 : g->beta,
                                      c, g->crs);
            continue;
        }
        if (rows == height || step != ars)
            g->tile[few + 2 * narrow](terms, pa, ars, acs, pb, brs, g->alpha, 0, t, width);
        else {
            nrxi_gemm_pack_f64(terms, rows, height, pa, ars, acs, rest);
            g->tile[few + 2 * narrow](terms, rest, 1, height, pb, brs, g->alpha, 0, t, width);
        }
        nrxi_gemm_merge_f64(g, rows, wide, t, width, lo < p0 ? (double)1 : g->beta, c);
    }
}

/* Direct: one chunk of C, panel by panel of B. */
NRXI_FN void nrxi_gemm_direct_job_f64(void *arg, size_t chunk)
{
    const nrxi_gemm_call_f64 *g = (const nrxi_gemm_call_f64 *)arg;
    double panel[NRXI_GEMM_KC * NRXI_GEMM_ROW_BYTES / sizeof(double)];
    size_t across = (g->n + g->width - 1) / g->width, i = chunk / across * g->height,
           j = chunk % across * g->width;
    size_t rows = nrxi_gemm_min(g->m - i, g->height), end = nrxi_gemm_min(g->n, j + g->width), p, last, kc,
           cols, brs;
    for (; j < end; j += g->nr) {
        p = (g->part & NRXI_GEMM_B_LOWER) ? nrxi_gemm_min(j, g->k - 1) : 0;
        last = (g->part & NRXI_GEMM_B_UPPER) ? nrxi_gemm_min(g->k, j + g->nr) : g->k;
        for (; p < last; p += kc) {
            const double *b = g->b + p * g->brs + j * g->bcs;
            kc = nrxi_gemm_min(last - p, NRXI_GEMM_KC);
            cols = nrxi_gemm_min(end - j, g->nr);
            brs = g->brs;
            if (g->bcs != 1 || (cols != g->nr && cols != g->nh) || rows > 16 * g->mr) {
                nrxi_gemm_pack_f64(kc, cols, g->nr, b, g->bcs, brs, panel);
                b = panel;
                brs = g->nr;
            }
            nrxi_gemm_sweep_f64(g, i, rows, j, cols, p, kc, g->a + i * g->ars + p * g->acs, g->ars, g->ars,
                                g->acs, b, brs, g->c + i * g->crs + j);
        }
    }
}

#if defined(NRXI_VEC)
/* Skinny: what matters is to read the long operand once and in order. The caller exchanges A and B (and
   transposes C) so that B is the long one. */

/* B's columns follow each other in memory (bcs 1): the few rows of C for one range of columns are kept in the
   first-level cache while all rows of B pass by, NRXI_GEMM_STREAM_KC streams at a time. */
NRXI_FN void nrxi_gemm_stream_job_f64(void *arg, size_t chunk)
{
    const nrxi_gemm_call_f64 *g = (const nrxi_gemm_call_f64 *)arg;
    double t[NRXI_GEMM_STREAM_SUMS], wide[NRXI_GEMM_STREAM_KC * NRXI_GEMM_ROW_BYTES / sizeof(double)],
        few[NRXI_GEMM_STREAM_KC * NRXI_GEMM_MR];
    size_t j0 = chunk * g->width, count = nrxi_gemm_min(g->n - j0, g->width), i, j, p, kc, rows, height;
    int far_away = (double)g->k * (double)g->n * sizeof(double) > 1e6;
    for (p = 0; p < g->k; p += kc) {
        kc = nrxi_gemm_min(g->k - p, far_away ? NRXI_GEMM_STREAM_FAR : NRXI_GEMM_STREAM_KC);
        for (i = 0; i < g->m; i += rows) {
            rows = nrxi_gemm_min(g->m - i, g->mr);
            height = rows <= g->mh ? g->mh : g->mr;
            nrxi_gemm_pack_f64(kc, rows, height, g->a + i * g->ars + p * g->acs, g->ars, g->acs, few);
            for (j = 0; j < count; j += g->nr) {
                const double *b = g->b + p * g->brs + j0 + j;
                size_t brs = g->brs;
                if (far_away && i == 0 && g->k - p >= 2 * kc && count - j >= g->nr)
                    nrxi_gemm_prefetch(b + kc * brs, kc, brs * sizeof *b);
                if (count - j < g->nr) {
                    nrxi_gemm_pack_f64(kc, count - j, g->nr, b, 1, brs, wide);
                    b = wide;
                    brs = g->nr;
                }
                g->tile[height < g->mr](kc, few, 1, height, b, brs, g->alpha, p ? (double)1 : (double)0,
                                        t + i * g->width + j, g->width);
            }
        }
    }
    nrxi_gemm_merge_f64(g, g->m, count, t, g->width, g->beta, g->c + j0 * g->ccs);
}

/* The same with all rows of C in registers: every cache line of B is used once, and called for 16 lines ahead
   in its row (the last 16 of a range: in the rows to come). Ranges begin at cache lines of B, and the rows of
   sums lie some lines more than a power of two apart, else they would share cache sets. */
NRXI_FN void nrxi_gemm_line_job_f64(void *arg, size_t chunk)
{
    enum { line = 64 / sizeof(double), ahead = 16 * line };
    const nrxi_gemm_call_f64 *g = (const nrxi_gemm_call_f64 *)arg;
    double room[NRXI_GEMM_LINE_BYTES / sizeof(double) + 49 * line], few[NRXI_GEMM_LINE_KC * 16],
        wide[NRXI_GEMM_LINE_KC * (size_t)line], *t = room + (64 - (uintptr_t)room % 64) / sizeof(double);
    size_t kind = g->m <= 8 ? 0 : g->m <= 12 ? 1 : 2, rows = 8 + 4 * kind, ts = g->width + 3 * line, j, p, kc;
    size_t skew = (uintptr_t)g->b % 64 / sizeof(double), j0 = chunk ? chunk * g->width - skew : 0, cols;
    size_t count = (chunk + 1) * g->width >= g->n ? g->n - j0 : (chunk + 1) * g->width - skew - j0;
    for (p = 0; p < g->k; p += kc) {
        kc = nrxi_gemm_min(g->k - p, NRXI_GEMM_LINE_KC);
        nrxi_gemm_pack_f64(kc, g->m, rows, g->a + p * g->acs, g->ars, g->acs, few);
        for (j = 0; j < count; j += cols) {
            const double *b = g->b + p * g->brs + j0 + j, *next = b;
            size_t brs = g->brs;
            if (j + ahead < count) next = b + ahead;
            else if (count > ahead && g->k - p >= 2 * kc) next = b + kc * brs - (count - ahead);
            cols = nrxi_gemm_min(count - j, j + chunk ? (size_t)line : line - skew);
            if (cols < line) {
                nrxi_gemm_pack_f64(kc, cols, line, b, 1, brs, wide);
                next = b = wide;
                brs = line;
            }
            g->line[kind](kc, few, b, brs, next, g->alpha, p ? (double)1 : (double)0, t + j, ts);
        }
    }
    nrxi_gemm_merge_f64(g, g->m, count, t, ts, g->beta, g->c + j0 * g->ccs);
}

/* y[j] = alpha times the sum of the j-th 16 bytes of x, j < cols, and for some j more up to a whole number of
   16 bytes of y. */
NRXI_FN void nrxi_gemm_fold_f64(size_t cols, const double *x, double alpha, double *y)
{
    enum { step = NRXI_GEMM_TURN_F64 };
    double turned[step * step];
    size_t j, e, i;
    for (j = 0; j < cols; j += step) {
        nrxi_gemm_turn_f64(step, x + j * step, step, turned, step);
        for (e = 0; e < step; e++) {
            double s = turned[e];
            for (i = 1; i < step; i++) s += turned[i * step + e];
            y[j + e] = alpha * s;
        }
    }
}

/* B's rows follow each other in memory (brs 1): entries of C are scalar products of B's columns, six at a
   time, with the rows of A, brought into the order of the kernel. */
NRXI_FN void nrxi_gemm_dot_job_f64(void *arg, size_t chunk)
{
    enum { step = 16 / sizeof(double), high = NRXI_GEMM_DOT_ROWS, ts = NRXI_GEMM_SKINNY + step };
    const nrxi_gemm_call_f64 *g = (const nrxi_gemm_call_f64 *)arg;
    double room[NRXI_GEMM_DOT_BYTES / sizeof(double) + 8 * step], sums[high * ts * step] = {0}, t[high * ts],
        *few = room + (64 - (uintptr_t)room % 64) / sizeof(double);
    const double *x[high], *a;
    size_t j0 = chunk * g->width, j1 = nrxi_gemm_min(g->n, j0 + g->width), most = g->dots * g->dot_cols,
           all = nrxi_gemm_round(g->m, g->dot_cols), limit, i, j, p, kc, whole, q, r, e, cols, count;
    limit = nrxi_gemm_min(NRXI_GEMM_DOT_KC, NRXI_GEMM_DOT_BYTES / sizeof(double) / all / 16 * 16);
    for (p = 0; p < g->k; p += kc) {
        kc = nrxi_gemm_min(g->k - p, limit);
        whole = kc / step * step;
        for (i = 0; i < all; i += most) { /* few: for `most` columns, 16 bytes of each after 16 bytes */
            cols = nrxi_gemm_min(all - i, most);
            count = nrxi_gemm_min(g->m - i, cols);
            for (q = 0; q < whole; q += step) {
                double *out = few + i * whole + q * cols;
                a = g->a + i * g->ars + (p + q) * g->acs;
                j = g->ars == 1 ? nrxi_gemm_turn_f64(count, a, g->acs, out, step) : 0;
                for (; j < cols; j++)
                    for (e = 0; e < step; e++) out[j * step + e] = j < count ? a[j * g->ars + e * g->acs] : 0;
            }
        }
        for (j = j0; j < j1; j += high) {
            size_t ahead = j + 2 * high <= g->n ? high * g->bcs : 0;
            for (r = 0; r < high; r++) x[r] = g->b + nrxi_gemm_min(j + r, j1 - 1) * g->bcs + p;
            for (i = 0; i < all; i += most) {
                cols = nrxi_gemm_min(all - i, most);
                count = nrxi_gemm_min(g->m - i, cols);
                g->dot[cols / g->dot_cols - 1](whole, x, few + i * whole, i ? 0 : ahead, sums);
                for (r = 0; r < high; r++)
                    nrxi_gemm_fold_f64(cols, sums + r * cols * step, g->alpha, t + r * ts + i);
            }
            for (r = 0; r < high && j + r < j1; r++) {
                double *c = g->c + (j + r) * g->ccs, *now = t + r * ts;
                for (e = whole; e < kc; e++)
                    for (i = 0; i < g->m; i++)
                        now[i] += g->alpha * x[r][e] * g->a[i * g->ars + (p + e) * g->acs];
                if (p == 0 && g->beta == 0)
                    for (i = 0; i < g->m; i++) c[i * g->crs] = now[i];
                else
                    for (i = 0; i < g->m; i++)
                        c[i * g->crs] = now[i] + (p ? c[i * g->crs] : g->beta * c[i * g->crs]);
            }
        }
    }
}

/* Does a skinny call; 0 when it is not one. */
NRXI_FN int nrxi_gemm_skinny_f64(nrxi_gemm_call_f64 *g, const nrx_env *env)
{
    nrxi_gemm_call_f64 o = *g;
    if (g->m > NRXI_GEMM_SKINNY && g->n > NRXI_GEMM_SKINNY) return 0;
    if (g->m > g->n) { /* C^T = op(B)^T op(A)^T */
        o.m = g->n; o.n = g->m;
        o.a = g->b; o.ars = g->bcs; o.acs = g->brs;
        o.b = g->a; o.brs = g->acs; o.bcs = g->ars;
        o.crs = g->ccs; o.ccs = g->crs;
    }
    if (o.n < 64 || (double)o.n * (double)o.k < 4096.0) return 0;
    if (o.bcs == 1 && o.line[0]) {
        o.width = NRXI_GEMM_LINE_BYTES / sizeof(double) / (o.m > 8 ? 16 : 8);
        nrxi_gemm_jobs(g->serial, env, (o.n + o.width - 1) / o.width, nrxi_gemm_line_job_f64, &o);
        return 1;
    }
    if (o.bcs == 1) {
        size_t rows = nrxi_gemm_round(o.m, o.m <= o.mh ? o.mh : o.mr);
        o.width = NRXI_GEMM_STREAM_SUMS / rows / o.nr * o.nr;
        nrxi_gemm_jobs(g->serial, env, (o.n + o.width - 1) / o.width, nrxi_gemm_stream_job_f64, &o);
        return 1;
    }
    if (o.brs != 1 || o.k < 32) return 0;
    o.width = nrxi_gemm_max(524288 / nrxi_gemm_min(o.k, 16384), (o.n + 7) / 8);
    o.width = nrxi_gemm_round(o.width, NRXI_GEMM_DOT_ROWS);
    nrxi_gemm_jobs(g->serial, env, (o.n + o.width - 1) / o.width, nrxi_gemm_dot_job_f64, &o);
    return 1;
}
#else
NRXI_FN int nrxi_gemm_skinny_f64(nrxi_gemm_call_f64 *g, const nrx_env *env)
{
    (void)g;
    (void)env;
    return 0;
}
#endif

/* Packed, first half: chunk c packs some panels of A (the first chunks) or of B (the others). */
NRXI_FN void nrxi_gemm_pack_job_f64(void *arg, size_t chunk)
{
    const nrxi_gemm_call_f64 *g = (const nrxi_gemm_call_f64 *)arg;
    size_t a_chunks = g->pa ? (g->rows + g->mc - 1) / g->mc : 0, i, end, count;
    if (chunk < a_chunks) {
        i = chunk * g->mc;
        end = nrxi_gemm_min(g->rows, i + g->mc);
        for (; i < end; i += g->mr) {
            count = nrxi_gemm_min(end - i, g->mr);
            nrxi_gemm_pack_f64(g->kc, count, g->mr, g->a + (g->i0 + i) * g->ars + g->p0 * g->acs, g->ars,
                               g->acs, g->pa + i * g->kc);
        }
    } else {
        i = (chunk - a_chunks) * g->nc;
        end = nrxi_gemm_min(g->cols, i + g->nc);
        for (; i < end; i += g->nr) {
            count = nrxi_gemm_min(end - i, g->nr);
            nrxi_gemm_pack_f64(g->kc, count, g->nr, g->b + g->p0 * g->brs + (g->j0 + i) * g->bcs, g->bcs,
                               g->brs, g->pb + i * g->kc);
        }
    }
}

/* Packed, second half: one mc x nc block of C. */
NRXI_FN void nrxi_gemm_block_job_f64(void *arg, size_t chunk)
{
    const nrxi_gemm_call_f64 *g = (const nrxi_gemm_call_f64 *)arg;
    size_t across = (g->cols + g->nc - 1) / g->nc, i0 = chunk / across * g->mc, j = chunk % across * g->nc;
    size_t i1 = nrxi_gemm_min(g->rows, i0 + g->mc), j1 = nrxi_gemm_min(g->cols, j + g->nc);
    for (; j < j1; j += g->nr) {
        const double *a = g->pa ? g->pa + i0 * g->kc : g->a + (g->i0 + i0) * g->ars + g->p0 * g->acs;
        nrxi_gemm_sweep_f64(g, g->i0 + i0, i1 - i0, g->j0 + j, nrxi_gemm_min(j1 - j, g->nr), g->p0, g->kc, a,
                            g->pa ? g->kc : g->ars, g->pa ? 1 : g->ars, g->pa ? g->mr : g->acs,
                            g->pb + j * g->kc, g->nr, g->c + (g->i0 + i0) * g->crs + g->j0 + j);
    }
}

NRXI_FN void nrxi_gemm_packed_f64(nrxi_gemm_call_f64 *g, double *work, const nrx_env *env)
{
    size_t down, across, most;
    g->pb = work;
    for (g->j0 = 0; g->j0 < g->n; g->j0 += g->cols) {
        g->cols = nrxi_gemm_min(g->n - g->j0, NRXI_GEMM_SUPER);
        g->nc = nrxi_gemm_round(g->cols / ((g->cols + NRXI_GEMM_NC - 1) / NRXI_GEMM_NC) + 1, g->nr);
        for (g->i0 = 0; g->i0 < g->m; g->i0 += g->rows) {
            g->rows = nrxi_gemm_min(g->m - g->i0, NRXI_GEMM_SUPER);
            most = sizeof(double) == 8 && g->rows >= 1024 ? NRXI_GEMM_MC_LONG : NRXI_GEMM_MC;
            g->mc = nrxi_gemm_round(g->rows / ((g->rows + most - 1) / most) + 1, g->mr);
            down = (g->rows + g->mc - 1) / g->mc;
            across = (g->cols + g->nc - 1) / g->nc;
            for (g->p0 = 0; g->p0 < g->k; g->p0 += g->kc) {
                g->kc = nrxi_gemm_min(g->k - g->p0, NRXI_GEMM_PACK_KC);
                g->pa = g->acs == 1 && g->m <= 1536 ? NULL : work + nrxi_gemm_round(g->cols, g->nr) * g->kc;
                nrxi_parallel(env, (g->pa ? down : 0) + across, nrxi_gemm_pack_job_f64, g);
                nrxi_parallel(env, down * across, nrxi_gemm_block_job_f64, g);
            }
        }
    }
}

/* Elements of workspace nrxi_gemm_f64 can use; 0 when the direct way is as good. Never overflows. */
NRXI_FN size_t nrxi_gemm_work_f64(size_t m, size_t n, size_t k)
{
    size_t rows = nrxi_gemm_min(m, NRXI_GEMM_SUPER), cols = nrxi_gemm_min(n, NRXI_GEMM_SUPER);
    if (n < 192 || m < 32 || (double)m * (double)k * sizeof(double) < 4e6) return 0;
    return (rows + NRXI_GEMM_MR + cols + NRXI_GEMM_ROW_BYTES / sizeof(double)) *
           nrxi_gemm_min(k, NRXI_GEMM_PACK_KC);
}

/* C = beta C; beta 0 never reads C. */
NRXI_FN void nrxi_gemm_scale_f64(size_t m, size_t n, double beta, double *c, size_t ldc)
{
    size_t i, j;
    if (beta == 1) return;
    for (i = 0; i < m; i++, c += ldc)
        for (j = 0; j < n; j++) c[j] = beta == 0 ? (double)0 : beta * c[j];
}

NRXI_FN void nrxi_gemm_setup_f64(nrxi_gemm_call_f64 *g, int ta, int tb, size_t m, size_t n, size_t k,
                                 double alpha, const double *a, size_t lda, const double *b, size_t ldb,
                                 double beta, double *c, size_t ldc)
{
    memset(g, 0, sizeof *g);
    g->m = m; g->n = n; g->k = k;
    g->a = a; g->ars = ta ? 1 : lda; g->acs = ta ? lda : 1;
    g->b = b; g->brs = tb ? 1 : ldb; g->bcs = tb ? ldb : 1;
    g->c = c; g->crs = ldc; g->ccs = 1;
    g->alpha = alpha; g->beta = beta;
    nrxi_gemm_choose_f64(g);
}

NRXI_FN void nrxi_gemm_run_f64(nrxi_gemm_call_f64 *g, double *work, const nrx_env *env)
{
    size_t across, down;
    if (!g->part && nrxi_gemm_skinny_f64(g, env)) return;
    if (work && nrxi_gemm_work_f64(g->m, g->n, g->k)) { nrxi_gemm_packed_f64(g, work, env); return; }
    g->width = g->n;
    g->height = g->m;
    if ((double)g->m * (double)g->n * (double)g->k >
        NRXI_GEMM_CUT) { /* about eight chunks, by columns first */
        g->width = nrxi_gemm_round((g->n + 7) / 8, g->nr);
        across = (g->n + g->width - 1) / g->width;
        down = nrxi_gemm_min((7 + across) / across, (g->m + NRXI_GEMM_MC - 1) / NRXI_GEMM_MC);
        g->height = nrxi_gemm_round((g->m + down - 1) / down, g->mr);
    }
    nrxi_gemm_jobs(g->serial, env, ((g->n + g->width - 1) / g->width) * ((g->m + g->height - 1) / g->height),
                   nrxi_gemm_direct_job_f64, g);
}

/* C (m x n, rows ldc apart) = alpha op(A) op(B) + beta C; ta, tb non-zero: A is stored k x m, B n x k. Beta 0
   never reads C, alpha 0 never A or B. C must not overlap A or B. `work`: nrxi_gemm_work_f64(m, n, k)
   elements, or NULL for the direct way. env NULL = the defaults. The caller has checked the arguments.
   part: sum of
     NRXI_GEMM_LOWER    of C only the entries on and below the diagonal are wanted; what the others hold
                        afterwards is not specified
     NRXI_GEMM_A_LOWER  op(A)[i][p] = 0 for p > i (stored as zeros); A_UPPER for p < i
     NRXI_GEMM_B_LOWER  op(B)[p][j] = 0 for j > p (stored as zeros); B_UPPER for j < p
   Whole tiles of zeros or of no interest are skipped: nearly half the work of a large product. A_UPPER does
   not go with B_UPPER. */
NRXI_FN void nrxi_gemm_part_f64(int part, int ta, int tb, size_t m, size_t n, size_t k, double alpha,
                                const double *a, size_t lda, const double *b, size_t ldb, double beta,
                                double *c, size_t ldc, double *work, const nrx_env *env)
{
    nrxi_gemm_call_f64 g;
    if (m == 0 || n == 0) return;
    if (k == 0 || alpha == 0) { nrxi_gemm_scale_f64(m, n, beta, c, ldc); return; }
#if defined(NRX_USE_CBLAS)
    if (nrxi_gemm_fits_int(m, n, k) && nrxi_gemm_fits_int(lda, ldb, ldc)) {
        NRXI_GEMM_CBLAS_F64(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans,
                            (int)m, (int)n, (int)k, alpha, a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
        return;
    }
#endif
    nrxi_gemm_setup_f64(&g, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    g.part = part;
    nrxi_gemm_run_f64(&g, work, env);
}
NRXI_FN void nrxi_gemm_f64(int ta, int tb, size_t m, size_t n, size_t k, double alpha, const double *a,
                           size_t lda, const double *b, size_t ldb, double beta, double *c, size_t ldc,
                           double *work, const nrx_env *env)
{
    nrxi_gemm_part_f64(0, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, work, env);
}

/* The upper triangle of C from the lower one, by blocks through a buffer (columns of C share cache sets). */
NRXI_FN void nrxi_gemm_mirror_f64(size_t n, double *c, size_t ldc)
{
    double t[16 * 16];
    size_t i, j, rows, row, col;
    for (i = 0; i < n; i += 16) {
        rows = nrxi_gemm_min(n - i, 16);
        for (j = 0; j < i; j += 16) {
            nrxi_gemm_pack_f64(16, rows, 16, c + i * ldc + j, ldc, 1, t);
            for (row = 0; row < 16; row++)
                for (col = 0; col < rows; col++) c[(j + row) * ldc + i + col] = t[row * 16 + col];
        }
        for (row = 1; row < rows; row++)
            for (col = 0; col < row; col++) c[(i + col) * ldc + i + row] = c[(i + row) * ldc + i + col];
    }
}

/* A product known to be symmetric: C = alpha A A^T + beta C (A n x k), or A^T A (A k x n) when ta; beta 0
   never reads C, else its lower triangle is read. */
NRXI_FN void nrxi_gemm_symmetric_f64(int ta, size_t n, size_t k, double alpha, const double *a, size_t lda,
                                     double beta, double *c, size_t ldc, double *work, const nrx_env *env)
{
    nrxi_gemm_part_f64(NRXI_GEMM_LOWER, ta, !ta, n, n, k, alpha, a, lda, a, lda, beta, c, ldc, work, env);
    nrxi_gemm_mirror_f64(n, c, ldc);
}

/* The same for `batch` products whose matrices lie sa, sb, sc elements apart (sa or sb 0: one matrix for
   all). Small products are shared among threads as wholes. */
typedef struct nrxi_gemm_batch_call_f64 {
    nrxi_gemm_call_f64 one;
    size_t sa, sb, sc, batch, group;
} nrxi_gemm_batch_call_f64;
NRXI_FN void nrxi_gemm_batch_job_f64(void *arg, size_t chunk)
{
    const nrxi_gemm_batch_call_f64 *all = (const nrxi_gemm_batch_call_f64 *)arg;
    size_t i = chunk * all->group, end = nrxi_gemm_min(all->batch, i + all->group);
    for (; i < end; i++) {
        nrxi_gemm_call_f64 g = all->one;
        g.a += i * all->sa;
        g.b += i * all->sb;
        g.c += i * all->sc;
        g.serial = 1;
        nrxi_gemm_run_f64(&g, NULL, NULL);
    }
}
NRXI_FN void nrxi_gemm_batch_f64(int ta, int tb, size_t m, size_t n, size_t k, double alpha, const double *a,
                                 size_t lda, size_t sa, const double *b, size_t ldb, size_t sb, double beta,
                                 double *c, size_t ldc, size_t sc, size_t batch, double *work,
                                 const nrx_env *env)
{
    nrxi_gemm_batch_call_f64 all;
    double cost = (double)m * (double)n * (double)k;
    size_t i;
    if (m == 0 || n == 0) return;
#if defined(NRX_USE_CBLAS)
    cost = (double)3e38; /* one by one */
#endif
    if (k == 0 || alpha == 0 || cost > 16 * NRXI_GEMM_CUT) {
        for (i = 0; i < batch; i++)
            nrxi_gemm_f64(ta, tb, m, n, k, alpha, a + i * sa, lda, b + i * sb, ldb, beta, c + i * sc, ldc,
                          work, env);
        return;
    }
    nrxi_gemm_setup_f64(&all.one, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    all.sa = sa; all.sb = sb; all.sc = sc;
    all.batch = batch;
    all.group = cost < NRXI_GEMM_CUT / 8 ? (size_t)(NRXI_GEMM_CUT / 8 / cost) : 1;
    nrxi_parallel(env, (batch + all.group - 1) / all.group, nrxi_gemm_batch_job_f64, &all);
}
/* === twin f32 */
/* The tile in plain C: four rows of 32 bytes (one of them wide enough for every element type). */
NRXI_FN void nrxi_gemm_tile_c_f32(size_t k, const float *a, size_t ars, size_t acs, const float *b,
                                  size_t brs, float alpha, float beta, float *c, size_t ldc)
{
    enum { rows = 4, cols = 32 / sizeof(float) };
    float t[rows][cols], s;
    int r, j;
    for (r = 0; r < rows; r++)
        for (j = 0; j < cols; j++) t[r][j] = 0;
    for (; k > 0; k--, a += acs, b += brs)
        for (r = 0; r < rows; r++) {
            s = a[(size_t)r * ars];
            for (j = 0; j < cols; j++) t[r][j] += s * b[j];
        }
    for (r = 0; r < rows; r++, c += ldc)
        for (j = 0; j < cols; j++) c[j] = beta == 0 ? alpha * t[r][j] : alpha * t[r][j] + beta * c[j];
}

typedef void (*nrxi_gemm_tile_fn_f32)(size_t k, const float *a, size_t ars, size_t acs, const float *b,
                                      size_t brs, float alpha, float beta, float *c, size_t ldc);

/* One call as its jobs see it. */
typedef struct nrxi_gemm_call_f32 {
    size_t m, n, k;
    const float *a, *b;           /* op(A)[i][p] = a[i*ars + p*acs], op(B)[p][j] = b[p*brs + j*bcs] */
    float *c;                     /* C[i][j] = c[i*crs + j*ccs]; ccs is 1 but in skinny calls */
    size_t ars, acs, brs, bcs, crs, ccs;
    float alpha, beta;
    nrxi_gemm_tile_fn_f32 tile[4];  /* whole, half the rows, half the columns, both */
    void (*dot[4])(size_t k, const float *const *x, const float *y, size_t ahead, float *sums);
    size_t dots, dot_cols;         /* dot: the largest number of vectors, columns in each */
    void (*line[3])(size_t k, const float *a, const float *b, size_t brs, const float *next, float alpha,
                    float beta, float *c, size_t ldc); /* 8, 12 and 16 rows; or NULL */
    size_t mr, nr, mh, nh;         /* rows and columns of the whole tile and of its halves */
    size_t width, height;          /* direct: columns and rows of a chunk; skinny: columns */
    int serial;                    /* inside a job already: no threads */
    int part;                      /* what is known to be zero or not wanted: NRXI_GEMM_LOWER ... */
    float *pa, *pb;               /* packed: panels of A (NULL: A is read in place) and of B, for kc terms */
    size_t i0, rows, j0, cols;     /* packed: the part of C at hand */
    size_t p0, kc, mc, nc;
} nrxi_gemm_call_f32;

#define NRXI_GEMM_TAKE(set, F)                            \
    g->tile[0] = nrxi_gemm_tile_##set##_##F;              \
    g->tile[1] = nrxi_gemm_tile1_##set##_##F;             \
    g->tile[2] = nrxi_gemm_tile2_##set##_##F;             \
    g->tile[3] = nrxi_gemm_tile3_##set##_##F;             \
    g->dot[0] = nrxi_gemm_dot1_##set##_##F;               \
    g->dot[1] = nrxi_gemm_dot2_##set##_##F;
NRXI_FN void nrxi_gemm_choose_f32(nrxi_gemm_call_f32 *g)
{
#if defined(NRXI_VEC)
    g->dots = 2;
    g->dot_cols = 1;
    g->mr = 6;
    g->nr = 32 / sizeof(float);
#if defined(NRXI_X86)
    if (nrxi_cpu_avx512()) {
        NRXI_GEMM_TAKE(avx512, f32)
        g->line[0] = nrxi_gemm_line8_f32;
        g->line[1] = nrxi_gemm_line12_f32;
        g->line[2] = nrxi_gemm_line16_f32;
        g->dot[2] = nrxi_gemm_dot3_avx512_f32;
        g->dot[3] = nrxi_gemm_dot4_avx512_f32;
        g->dots = g->dot_cols = 4;
        g->mr = 8;
        g->nr = 128 / sizeof(float);
    } else if (nrxi_cpu_avx2()) {
        NRXI_GEMM_TAKE(avx2, f32)
        g->dot_cols = 2;
        g->nr = 64 / sizeof(float);
    } else
#endif
    {
        NRXI_GEMM_TAKE(v16, f32)
    }
    g->mh = g->mr / 2;
    g->nh = g->nr / 2;
#else
    g->tile[0] = g->tile[1] = g->tile[2] = g->tile[3] = nrxi_gemm_tile_c_f32;
    g->mr = g->mh = 4;
    g->nr = g->nh = 32 / sizeof(float);
#endif
}

/* A panel: out[p*full + i] = x[i*xs + p*ps] for i < count, 0 for count <= i < full, p < k. */
NRXI_FN void nrxi_gemm_pack_f32(size_t k, size_t count, size_t full, const float *x, size_t xs, size_t ps,
                                float *out)
{
    size_t i = 0, p;
    if (xs == 1) {
        for (p = 0; p < k; p++, x += ps, out += full) {
            for (i = 0; i + NRXI_GEMM_TURN_F32 <= count; i += NRXI_GEMM_TURN_F32)
                memcpy(out + i, x + i, NRXI_GEMM_TURN_F32 * sizeof *x);
            for (; i < count; i++) out[i] = x[i];
            for (; i < full; i++) out[i] = 0;
        }
        return;
    }
#if defined(NRXI_VEC)
    for (; ps == 1 && i + NRXI_GEMM_TURN_F32 <= count; i += NRXI_GEMM_TURN_F32) {
        size_t row, done = nrxi_gemm_turn_f32(k, x + i * xs, xs, out + i, full);
        for (p = done; p < k; p++)
            for (row = i; row < i + NRXI_GEMM_TURN_F32; row++) out[p * full + row] = x[row * xs + p];
    }
#endif
    for (; i < count; i++)
        for (p = 0; p < k; p++) out[p * full + i] = x[i * xs + p * ps];
    for (; i < full; i++)
        for (p = 0; p < k; p++) out[p * full + i] = 0;
}

/* Adds rows x cols entries of t (rows nr apart) to C at c: C = t + beta C. */
NRXI_FN void nrxi_gemm_merge_f32(const nrxi_gemm_call_f32 *g, size_t rows, size_t cols, const float *t,
                                 size_t ts, float beta, float *c)
{
    size_t i, j;
    for (i = 0; i < rows; i++)
        for (j = 0; j < cols; j++) {
            float *at = c + i * g->crs + j * g->ccs;
            *at = beta == 0 ? t[i * ts + j] : t[i * ts + j] + beta * *at;
        }
}

/* The terms of a tile at row i and column j that are not known to be zero: from *lo < k, less than *hi (which
   may be *lo or less: then there are none, but the tile is still to be scaled, in the pass of *lo). */
NRXI_FN void nrxi_gemm_terms_f32(const nrxi_gemm_call_f32 *g, size_t i, size_t j, size_t *lo, size_t *hi)
{
    *lo = 0;
    *hi = g->k;
    if ((g->part & NRXI_GEMM_A_UPPER)) *lo = i;
    if ((g->part & NRXI_GEMM_B_LOWER) && j > *lo) *lo = j;
    *lo = nrxi_gemm_min(*lo, g->k - 1);
    if ((g->part & NRXI_GEMM_A_LOWER)) *hi = nrxi_gemm_min(*hi, i + g->mr);
    if ((g->part & NRXI_GEMM_B_UPPER)) *hi = nrxi_gemm_min(*hi, j + g->nr);
}

/* One panel of B (cols columns from j, readable as far as the tile is wide) against m rows of A from row i0,
   k terms from p0: row i starts at a + (i - i0) * step; with step ars A is read in place, else it is in
   panels, padded with zeros. A tile that sticks out of C goes through a buffer. */
NRXI_FN void nrxi_gemm_sweep_f32(const nrxi_gemm_call_f32 *g, size_t i0, size_t m, size_t j, size_t cols,
                                 size_t p0, size_t k, const float *a, size_t step, size_t ars, size_t acs,
                                 const float *b, size_t brs, float *c)
{
    float rest[NRXI_GEMM_PACK_KC * NRXI_GEMM_MR], t[NRXI_GEMM_MR * NRXI_GEMM_ROW_BYTES / sizeof(float)];
    size_t i, rows;
    for (i = 0; i < m; i += g->mr, a += g->mr * step, c += g->mr * g->crs) {
        const float *pa = a, *pb = b;
        size_t few, height, narrow, width, wide = cols, terms = k, lo = 0, hi;
        rows = nrxi_gemm_min(m - i, g->mr);
        if (g->part) {
            if ((g->part & NRXI_GEMM_LOWER)) { /* right of the diagonal nothing is wanted */
                if (i0 + i + rows <= j) continue;
                if (i0 + i + rows <= j + g->nh) wide = nrxi_gemm_min(cols, g->nh);
            }
            nrxi_gemm_terms_f32(g, i0 + i, j, &lo, &hi);
            hi = nrxi_gemm_min(hi, p0 + k);
            terms = nrxi_gemm_max(lo, p0);
            if (lo >= p0 + k || (hi <= terms && lo < p0)) continue;
            pa += (terms - p0) * acs;
            pb += (terms - p0) * brs;
            terms = hi > terms ? hi - terms : 0;
        }
        few = rows <= g->mh;
        height = few ? g->mh : g->mr;
        narrow = wide <= g->nh;
        width = narrow ? g->nh : g->nr;
        if (rows == height && wide == width) {
            g->tile[few + 2 * narrow](terms, pa, ars, acs, pb, brs, g->alpha, lo < p0 ? (float)1 : g->beta,
                                      c, g->crs);
            continue;
        }
        if (rows == height || step != ars)
            g->tile[few + 2 * narrow](terms, pa, ars, acs, pb, brs, g->alpha, 0, t, width);
        else {
            nrxi_gemm_pack_f32(terms, rows, height, pa, ars, acs, rest);
            g->tile[few + 2 * narrow](terms, rest, 1, height, pb, brs, g->alpha, 0, t, width);
        }
        nrxi_gemm_merge_f32(g, rows, wide, t, width, lo < p0 ? (float)1 : g->beta, c);
    }
}

/* Direct: one chunk of C, panel by panel of B. */
NRXI_FN void nrxi_gemm_direct_job_f32(void *arg, size_t chunk)
{
    const nrxi_gemm_call_f32 *g = (const nrxi_gemm_call_f32 *)arg;
    float panel[NRXI_GEMM_KC * NRXI_GEMM_ROW_BYTES / sizeof(float)];
    size_t across = (g->n + g->width - 1) / g->width, i = chunk / across * g->height,
           j = chunk % across * g->width;
    size_t rows = nrxi_gemm_min(g->m - i, g->height), end = nrxi_gemm_min(g->n, j + g->width), p, last, kc,
           cols, brs;
    for (; j < end; j += g->nr) {
        p = (g->part & NRXI_GEMM_B_LOWER) ? nrxi_gemm_min(j, g->k - 1) : 0;
        last = (g->part & NRXI_GEMM_B_UPPER) ? nrxi_gemm_min(g->k, j + g->nr) : g->k;
        for (; p < last; p += kc) {
            const float *b = g->b + p * g->brs + j * g->bcs;
            kc = nrxi_gemm_min(last - p, NRXI_GEMM_KC);
            cols = nrxi_gemm_min(end - j, g->nr);
            brs = g->brs;
            if (g->bcs != 1 || (cols != g->nr && cols != g->nh) || rows > 16 * g->mr) {
                nrxi_gemm_pack_f32(kc, cols, g->nr, b, g->bcs, brs, panel);
                b = panel;
                brs = g->nr;
            }
            nrxi_gemm_sweep_f32(g, i, rows, j, cols, p, kc, g->a + i * g->ars + p * g->acs, g->ars, g->ars,
                                g->acs, b, brs, g->c + i * g->crs + j);
        }
    }
}

#if defined(NRXI_VEC)
/* Skinny: what matters is to read the long operand once and in order. The caller exchanges A and B (and
   transposes C) so that B is the long one. */

/* B's columns follow each other in memory (bcs 1): the few rows of C for one range of columns are kept in the
   first-level cache while all rows of B pass by, NRXI_GEMM_STREAM_KC streams at a time. */
NRXI_FN void nrxi_gemm_stream_job_f32(void *arg, size_t chunk)
{
    const nrxi_gemm_call_f32 *g = (const nrxi_gemm_call_f32 *)arg;
    float t[NRXI_GEMM_STREAM_SUMS], wide[NRXI_GEMM_STREAM_KC * NRXI_GEMM_ROW_BYTES / sizeof(float)],
        few[NRXI_GEMM_STREAM_KC * NRXI_GEMM_MR];
    size_t j0 = chunk * g->width, count = nrxi_gemm_min(g->n - j0, g->width), i, j, p, kc, rows, height;
    int far_away = (float)g->k * (float)g->n * sizeof(float) > 1e6;
    for (p = 0; p < g->k; p += kc) {
        kc = nrxi_gemm_min(g->k - p, far_away ? NRXI_GEMM_STREAM_FAR : NRXI_GEMM_STREAM_KC);
        for (i = 0; i < g->m; i += rows) {
            rows = nrxi_gemm_min(g->m - i, g->mr);
            height = rows <= g->mh ? g->mh : g->mr;
            nrxi_gemm_pack_f32(kc, rows, height, g->a + i * g->ars + p * g->acs, g->ars, g->acs, few);
            for (j = 0; j < count; j += g->nr) {
                const float *b = g->b + p * g->brs + j0 + j;
                size_t brs = g->brs;
                if (far_away && i == 0 && g->k - p >= 2 * kc && count - j >= g->nr)
                    nrxi_gemm_prefetch(b + kc * brs, kc, brs * sizeof *b);
                if (count - j < g->nr) {
                    nrxi_gemm_pack_f32(kc, count - j, g->nr, b, 1, brs, wide);
                    b = wide;
                    brs = g->nr;
                }
                g->tile[height < g->mr](kc, few, 1, height, b, brs, g->alpha, p ? (float)1 : (float)0,
                                        t + i * g->width + j, g->width);
            }
        }
    }
    nrxi_gemm_merge_f32(g, g->m, count, t, g->width, g->beta, g->c + j0 * g->ccs);
}

/* The same with all rows of C in registers: every cache line of B is used once, and called for 16 lines ahead
   in its row (the last 16 of a range: in the rows to come). Ranges begin at cache lines of B, and the rows of
   sums lie some lines more than a power of two apart, else they would share cache sets. */
NRXI_FN void nrxi_gemm_line_job_f32(void *arg, size_t chunk)
{
    enum { line = 64 / sizeof(float), ahead = 16 * line };
    const nrxi_gemm_call_f32 *g = (const nrxi_gemm_call_f32 *)arg;
    float room[NRXI_GEMM_LINE_BYTES / sizeof(float) + 49 * line], few[NRXI_GEMM_LINE_KC * 16],
        wide[NRXI_GEMM_LINE_KC * (size_t)line], *t = room + (64 - (uintptr_t)room % 64) / sizeof(float);
    size_t kind = g->m <= 8 ? 0 : g->m <= 12 ? 1 : 2, rows = 8 + 4 * kind, ts = g->width + 3 * line, j, p, kc;
    size_t skew = (uintptr_t)g->b % 64 / sizeof(float), j0 = chunk ? chunk * g->width - skew : 0, cols;
    size_t count = (chunk + 1) * g->width >= g->n ? g->n - j0 : (chunk + 1) * g->width - skew - j0;
    for (p = 0; p < g->k; p += kc) {
        kc = nrxi_gemm_min(g->k - p, NRXI_GEMM_LINE_KC);
        nrxi_gemm_pack_f32(kc, g->m, rows, g->a + p * g->acs, g->ars, g->acs, few);
        for (j = 0; j < count; j += cols) {
            const float *b = g->b + p * g->brs + j0 + j, *next = b;
            size_t brs = g->brs;
            if (j + ahead < count) next = b + ahead;
            else if (count > ahead && g->k - p >= 2 * kc) next = b + kc * brs - (count - ahead);
            cols = nrxi_gemm_min(count - j, j + chunk ? (size_t)line : line - skew);
            if (cols < line) {
                nrxi_gemm_pack_f32(kc, cols, line, b, 1, brs, wide);
                next = b = wide;
                brs = line;
            }
            g->line[kind](kc, few, b, brs, next, g->alpha, p ? (float)1 : (float)0, t + j, ts);
        }
    }
    nrxi_gemm_merge_f32(g, g->m, count, t, ts, g->beta, g->c + j0 * g->ccs);
}

/* y[j] = alpha times the sum of the j-th 16 bytes of x, j < cols, and for some j more up to a whole number of
   16 bytes of y. */
NRXI_FN void nrxi_gemm_fold_f32(size_t cols, const float *x, float alpha, float *y)
{
    enum { step = NRXI_GEMM_TURN_F32 };
    float turned[step * step];
    size_t j, e, i;
    for (j = 0; j < cols; j += step) {
        nrxi_gemm_turn_f32(step, x + j * step, step, turned, step);
        for (e = 0; e < step; e++) {
            float s = turned[e];
            for (i = 1; i < step; i++) s += turned[i * step + e];
            y[j + e] = alpha * s;
        }
    }
}

/* B's rows follow each other in memory (brs 1): entries of C are scalar products of B's columns, six at a
   time, with the rows of A, brought into the order of the kernel. */
NRXI_FN void nrxi_gemm_dot_job_f32(void *arg, size_t chunk)
{
    enum { step = 16 / sizeof(float), high = NRXI_GEMM_DOT_ROWS, ts = NRXI_GEMM_SKINNY + step };
    const nrxi_gemm_call_f32 *g = (const nrxi_gemm_call_f32 *)arg;
    float room[NRXI_GEMM_DOT_BYTES / sizeof(float) + 8 * step], sums[high * ts * step] = {0}, t[high * ts],
        *few = room + (64 - (uintptr_t)room % 64) / sizeof(float);
    const float *x[high], *a;
    size_t j0 = chunk * g->width, j1 = nrxi_gemm_min(g->n, j0 + g->width), most = g->dots * g->dot_cols,
           all = nrxi_gemm_round(g->m, g->dot_cols), limit, i, j, p, kc, whole, q, r, e, cols, count;
    limit = nrxi_gemm_min(NRXI_GEMM_DOT_KC, NRXI_GEMM_DOT_BYTES / sizeof(float) / all / 16 * 16);
    for (p = 0; p < g->k; p += kc) {
        kc = nrxi_gemm_min(g->k - p, limit);
        whole = kc / step * step;
        for (i = 0; i < all; i += most) { /* few: for `most` columns, 16 bytes of each after 16 bytes */
            cols = nrxi_gemm_min(all - i, most);
            count = nrxi_gemm_min(g->m - i, cols);
            for (q = 0; q < whole; q += step) {
                float *out = few + i * whole + q * cols;
                a = g->a + i * g->ars + (p + q) * g->acs;
                j = g->ars == 1 ? nrxi_gemm_turn_f32(count, a, g->acs, out, step) : 0;
                for (; j < cols; j++)
                    for (e = 0; e < step; e++) out[j * step + e] = j < count ? a[j * g->ars + e * g->acs] : 0;
            }
        }
        for (j = j0; j < j1; j += high) {
            size_t ahead = j + 2 * high <= g->n ? high * g->bcs : 0;
            for (r = 0; r < high; r++) x[r] = g->b + nrxi_gemm_min(j + r, j1 - 1) * g->bcs + p;
            for (i = 0; i < all; i += most) {
                cols = nrxi_gemm_min(all - i, most);
                count = nrxi_gemm_min(g->m - i, cols);
                g->dot[cols / g->dot_cols - 1](whole, x, few + i * whole, i ? 0 : ahead, sums);
                for (r = 0; r < high; r++)
                    nrxi_gemm_fold_f32(cols, sums + r * cols * step, g->alpha, t + r * ts + i);
            }
            for (r = 0; r < high && j + r < j1; r++) {
                float *c = g->c + (j + r) * g->ccs, *now = t + r * ts;
                for (e = whole; e < kc; e++)
                    for (i = 0; i < g->m; i++)
                        now[i] += g->alpha * x[r][e] * g->a[i * g->ars + (p + e) * g->acs];
                if (p == 0 && g->beta == 0)
                    for (i = 0; i < g->m; i++) c[i * g->crs] = now[i];
                else
                    for (i = 0; i < g->m; i++)
                        c[i * g->crs] = now[i] + (p ? c[i * g->crs] : g->beta * c[i * g->crs]);
            }
        }
    }
}

/* Does a skinny call; 0 when it is not one. */
NRXI_FN int nrxi_gemm_skinny_f32(nrxi_gemm_call_f32 *g, const nrx_env *env)
{
    nrxi_gemm_call_f32 o = *g;
    if (g->m > NRXI_GEMM_SKINNY && g->n > NRXI_GEMM_SKINNY) return 0;
    if (g->m > g->n) { /* C^T = op(B)^T op(A)^T */
        o.m = g->n; o.n = g->m;
        o.a = g->b; o.ars = g->bcs; o.acs = g->brs;
        o.b = g->a; o.brs = g->acs; o.bcs = g->ars;
        o.crs = g->ccs; o.ccs = g->crs;
    }
    if (o.n < 64 || (float)o.n * (float)o.k < 4096.0) return 0;
    if (o.bcs == 1 && o.line[0]) {
        o.width = NRXI_GEMM_LINE_BYTES / sizeof(float) / (o.m > 8 ? 16 : 8);
        nrxi_gemm_jobs(g->serial, env, (o.n + o.width - 1) / o.width, nrxi_gemm_line_job_f32, &o);
        return 1;
    }
    if (o.bcs == 1) {
        size_t rows = nrxi_gemm_round(o.m, o.m <= o.mh ? o.mh : o.mr);
        o.width = NRXI_GEMM_STREAM_SUMS / rows / o.nr * o.nr;
        nrxi_gemm_jobs(g->serial, env, (o.n + o.width - 1) / o.width, nrxi_gemm_stream_job_f32, &o);
        return 1;
    }
    if (o.brs != 1 || o.k < 32) return 0;
    o.width = nrxi_gemm_max(524288 / nrxi_gemm_min(o.k, 16384), (o.n + 7) / 8);
    o.width = nrxi_gemm_round(o.width, NRXI_GEMM_DOT_ROWS);
    nrxi_gemm_jobs(g->serial, env, (o.n + o.width - 1) / o.width, nrxi_gemm_dot_job_f32, &o);
    return 1;
}
#else
NRXI_FN int nrxi_gemm_skinny_f32(nrxi_gemm_call_f32 *g, const nrx_env *env)
{
    (void)g;
    (void)env;
    return 0;
}
#endif

/* Packed, first half: chunk c packs some panels of A (the first chunks) or of B (the others). */
NRXI_FN void nrxi_gemm_pack_job_f32(void *arg, size_t chunk)
{
    const nrxi_gemm_call_f32 *g = (const nrxi_gemm_call_f32 *)arg;
    size_t a_chunks = g->pa ? (g->rows + g->mc - 1) / g->mc : 0, i, end, count;
    if (chunk < a_chunks) {
        i = chunk * g->mc;
        end = nrxi_gemm_min(g->rows, i + g->mc);
        for (; i < end; i += g->mr) {
            count = nrxi_gemm_min(end - i, g->mr);
            nrxi_gemm_pack_f32(g->kc, count, g->mr, g->a + (g->i0 + i) * g->ars + g->p0 * g->acs, g->ars,
                               g->acs, g->pa + i * g->kc);
        }
    } else {
        i = (chunk - a_chunks) * g->nc;
        end = nrxi_gemm_min(g->cols, i + g->nc);
        for (; i < end; i += g->nr) {
            count = nrxi_gemm_min(end - i, g->nr);
            nrxi_gemm_pack_f32(g->kc, count, g->nr, g->b + g->p0 * g->brs + (g->j0 + i) * g->bcs, g->bcs,
                               g->brs, g->pb + i * g->kc);
        }
    }
}

/* Packed, second half: one mc x nc block of C. */
NRXI_FN void nrxi_gemm_block_job_f32(void *arg, size_t chunk)
{
    const nrxi_gemm_call_f32 *g = (const nrxi_gemm_call_f32 *)arg;
    size_t across = (g->cols + g->nc - 1) / g->nc, i0 = chunk / across * g->mc, j = chunk % across * g->nc;
    size_t i1 = nrxi_gemm_min(g->rows, i0 + g->mc), j1 = nrxi_gemm_min(g->cols, j + g->nc);
    for (; j < j1; j += g->nr) {
        const float *a = g->pa ? g->pa + i0 * g->kc : g->a + (g->i0 + i0) * g->ars + g->p0 * g->acs;
        nrxi_gemm_sweep_f32(g, g->i0 + i0, i1 - i0, g->j0 + j, nrxi_gemm_min(j1 - j, g->nr), g->p0, g->kc, a,
                            g->pa ? g->kc : g->ars, g->pa ? 1 : g->ars, g->pa ? g->mr : g->acs,
                            g->pb + j * g->kc, g->nr, g->c + (g->i0 + i0) * g->crs + g->j0 + j);
    }
}

NRXI_FN void nrxi_gemm_packed_f32(nrxi_gemm_call_f32 *g, float *work, const nrx_env *env)
{
    size_t down, across, most;
    g->pb = work;
    for (g->j0 = 0; g->j0 < g->n; g->j0 += g->cols) {
        g->cols = nrxi_gemm_min(g->n - g->j0, NRXI_GEMM_SUPER);
        g->nc = nrxi_gemm_round(g->cols / ((g->cols + NRXI_GEMM_NC - 1) / NRXI_GEMM_NC) + 1, g->nr);
        for (g->i0 = 0; g->i0 < g->m; g->i0 += g->rows) {
            g->rows = nrxi_gemm_min(g->m - g->i0, NRXI_GEMM_SUPER);
            most = sizeof(float) == 8 && g->rows >= 1024 ? NRXI_GEMM_MC_LONG : NRXI_GEMM_MC;
            g->mc = nrxi_gemm_round(g->rows / ((g->rows + most - 1) / most) + 1, g->mr);
            down = (g->rows + g->mc - 1) / g->mc;
            across = (g->cols + g->nc - 1) / g->nc;
            for (g->p0 = 0; g->p0 < g->k; g->p0 += g->kc) {
                g->kc = nrxi_gemm_min(g->k - g->p0, NRXI_GEMM_PACK_KC);
                g->pa = g->acs == 1 && g->m <= 1536 ? NULL : work + nrxi_gemm_round(g->cols, g->nr) * g->kc;
                nrxi_parallel(env, (g->pa ? down : 0) + across, nrxi_gemm_pack_job_f32, g);
                nrxi_parallel(env, down * across, nrxi_gemm_block_job_f32, g);
            }
        }
    }
}

/* Elements of workspace nrxi_gemm_f32 can use; 0 when the direct way is as good. Never overflows. */
NRXI_FN size_t nrxi_gemm_work_f32(size_t m, size_t n, size_t k)
{
    size_t rows = nrxi_gemm_min(m, NRXI_GEMM_SUPER), cols = nrxi_gemm_min(n, NRXI_GEMM_SUPER);
    if (n < 192 || m < 32 || (float)m * (float)k * sizeof(float) < 4e6) return 0;
    return (rows + NRXI_GEMM_MR + cols + NRXI_GEMM_ROW_BYTES / sizeof(float)) *
           nrxi_gemm_min(k, NRXI_GEMM_PACK_KC);
}

/* C = beta C; beta 0 never reads C. */
NRXI_FN void nrxi_gemm_scale_f32(size_t m, size_t n, float beta, float *c, size_t ldc)
{
    size_t i, j;
    if (beta == 1) return;
    for (i = 0; i < m; i++, c += ldc)
        for (j = 0; j < n; j++) c[j] = beta == 0 ? (float)0 : beta * c[j];
}

NRXI_FN void nrxi_gemm_setup_f32(nrxi_gemm_call_f32 *g, int ta, int tb, size_t m, size_t n, size_t k,
                                 float alpha, const float *a, size_t lda, const float *b, size_t ldb,
                                 float beta, float *c, size_t ldc)
{
    memset(g, 0, sizeof *g);
    g->m = m; g->n = n; g->k = k;
    g->a = a; g->ars = ta ? 1 : lda; g->acs = ta ? lda : 1;
    g->b = b; g->brs = tb ? 1 : ldb; g->bcs = tb ? ldb : 1;
    g->c = c; g->crs = ldc; g->ccs = 1;
    g->alpha = alpha; g->beta = beta;
    nrxi_gemm_choose_f32(g);
}

NRXI_FN void nrxi_gemm_run_f32(nrxi_gemm_call_f32 *g, float *work, const nrx_env *env)
{
    size_t across, down;
    if (!g->part && nrxi_gemm_skinny_f32(g, env)) return;
    if (work && nrxi_gemm_work_f32(g->m, g->n, g->k)) { nrxi_gemm_packed_f32(g, work, env); return; }
    g->width = g->n;
    g->height = g->m;
    if ((float)g->m * (float)g->n * (float)g->k >
        NRXI_GEMM_CUT) { /* about eight chunks, by columns first */
        g->width = nrxi_gemm_round((g->n + 7) / 8, g->nr);
        across = (g->n + g->width - 1) / g->width;
        down = nrxi_gemm_min((7 + across) / across, (g->m + NRXI_GEMM_MC - 1) / NRXI_GEMM_MC);
        g->height = nrxi_gemm_round((g->m + down - 1) / down, g->mr);
    }
    nrxi_gemm_jobs(g->serial, env, ((g->n + g->width - 1) / g->width) * ((g->m + g->height - 1) / g->height),
                   nrxi_gemm_direct_job_f32, g);
}

/* C (m x n, rows ldc apart) = alpha op(A) op(B) + beta C; ta, tb non-zero: A is stored k x m, B n x k. Beta 0
   never reads C, alpha 0 never A or B. C must not overlap A or B. `work`: nrxi_gemm_work_f32(m, n, k)
   elements, or NULL for the direct way. env NULL = the defaults. The caller has checked the arguments.
   part: sum of
     NRXI_GEMM_LOWER    of C only the entries on and below the diagonal are wanted; what the others hold
                        afterwards is not specified
     NRXI_GEMM_A_LOWER  op(A)[i][p] = 0 for p > i (stored as zeros); A_UPPER for p < i
     NRXI_GEMM_B_LOWER  op(B)[p][j] = 0 for j > p (stored as zeros); B_UPPER for j < p
   Whole tiles of zeros or of no interest are skipped: nearly half the work of a large product. A_UPPER does
   not go with B_UPPER. */
NRXI_FN void nrxi_gemm_part_f32(int part, int ta, int tb, size_t m, size_t n, size_t k, float alpha,
                                const float *a, size_t lda, const float *b, size_t ldb, float beta,
                                float *c, size_t ldc, float *work, const nrx_env *env)
{
    nrxi_gemm_call_f32 g;
    if (m == 0 || n == 0) return;
    if (k == 0 || alpha == 0) { nrxi_gemm_scale_f32(m, n, beta, c, ldc); return; }
#if defined(NRX_USE_CBLAS)
    if (nrxi_gemm_fits_int(m, n, k) && nrxi_gemm_fits_int(lda, ldb, ldc)) {
        NRXI_GEMM_CBLAS_F32(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans,
                            (int)m, (int)n, (int)k, alpha, a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
        return;
    }
#endif
    nrxi_gemm_setup_f32(&g, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    g.part = part;
    nrxi_gemm_run_f32(&g, work, env);
}
NRXI_FN void nrxi_gemm_f32(int ta, int tb, size_t m, size_t n, size_t k, float alpha, const float *a,
                           size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc,
                           float *work, const nrx_env *env)
{
    nrxi_gemm_part_f32(0, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, work, env);
}

/* The upper triangle of C from the lower one, by blocks through a buffer (columns of C share cache sets). */
NRXI_FN void nrxi_gemm_mirror_f32(size_t n, float *c, size_t ldc)
{
    float t[16 * 16];
    size_t i, j, rows, row, col;
    for (i = 0; i < n; i += 16) {
        rows = nrxi_gemm_min(n - i, 16);
        for (j = 0; j < i; j += 16) {
            nrxi_gemm_pack_f32(16, rows, 16, c + i * ldc + j, ldc, 1, t);
            for (row = 0; row < 16; row++)
                for (col = 0; col < rows; col++) c[(j + row) * ldc + i + col] = t[row * 16 + col];
        }
        for (row = 1; row < rows; row++)
            for (col = 0; col < row; col++) c[(i + col) * ldc + i + row] = c[(i + row) * ldc + i + col];
    }
}

/* A product known to be symmetric: C = alpha A A^T + beta C (A n x k), or A^T A (A k x n) when ta; beta 0
   never reads C, else its lower triangle is read. */
NRXI_FN void nrxi_gemm_symmetric_f32(int ta, size_t n, size_t k, float alpha, const float *a, size_t lda,
                                     float beta, float *c, size_t ldc, float *work, const nrx_env *env)
{
    nrxi_gemm_part_f32(NRXI_GEMM_LOWER, ta, !ta, n, n, k, alpha, a, lda, a, lda, beta, c, ldc, work, env);
    nrxi_gemm_mirror_f32(n, c, ldc);
}

/* The same for `batch` products whose matrices lie sa, sb, sc elements apart (sa or sb 0: one matrix for
   all). Small products are shared among threads as wholes. */
typedef struct nrxi_gemm_batch_call_f32 {
    nrxi_gemm_call_f32 one;
    size_t sa, sb, sc, batch, group;
} nrxi_gemm_batch_call_f32;
NRXI_FN void nrxi_gemm_batch_job_f32(void *arg, size_t chunk)
{
    const nrxi_gemm_batch_call_f32 *all = (const nrxi_gemm_batch_call_f32 *)arg;
    size_t i = chunk * all->group, end = nrxi_gemm_min(all->batch, i + all->group);
    for (; i < end; i++) {
        nrxi_gemm_call_f32 g = all->one;
        g.a += i * all->sa;
        g.b += i * all->sb;
        g.c += i * all->sc;
        g.serial = 1;
        nrxi_gemm_run_f32(&g, NULL, NULL);
    }
}
NRXI_FN void nrxi_gemm_batch_f32(int ta, int tb, size_t m, size_t n, size_t k, float alpha, const float *a,
                                 size_t lda, size_t sa, const float *b, size_t ldb, size_t sb, float beta,
                                 float *c, size_t ldc, size_t sc, size_t batch, float *work,
                                 const nrx_env *env)
{
    nrxi_gemm_batch_call_f32 all;
    float cost = (float)m * (float)n * (float)k;
    size_t i;
    if (m == 0 || n == 0) return;
#if defined(NRX_USE_CBLAS)
    cost = (float)3e38; /* one by one */
#endif
    if (k == 0 || alpha == 0 || cost > 16 * NRXI_GEMM_CUT) {
        for (i = 0; i < batch; i++)
            nrxi_gemm_f32(ta, tb, m, n, k, alpha, a + i * sa, lda, b + i * sb, ldb, beta, c + i * sc, ldc,
                          work, env);
        return;
    }
    nrxi_gemm_setup_f32(&all.one, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    all.sa = sa; all.sb = sb; all.sc = sc;
    all.batch = batch;
    all.group = cost < NRXI_GEMM_CUT / 8 ? (size_t)(NRXI_GEMM_CUT / 8 / cost) : 1;
    nrxi_parallel(env, (batch + all.group - 1) / all.group, nrxi_gemm_batch_job_f32, &all);
}
/* <<< twin */
#elif NRXI_GEMM_VERSION != 1720457238
#error "nrx: headers with different versions of the gemm block are mixed in one translation unit"
#endif
/* <<< nrx gemm (implementation) */
/* >>> nrx fft (implementation) */
#ifndef NRXI_FFT_VERSION
#define NRXI_FFT_VERSION 3279848146
/* Discrete Fourier transforms of any length, f32 and f64, complex (interleaved) and real:
   X_k = sum_j x_j exp(-2 pi i j k / n); the inverse has the other sign and is not normalised. A plan is made
   once (it allocates) and may then be used by any number of threads at a time. Running does not allocate:
   `work` holds the number of elements that the query gives, best aligned to 64 bytes. in may equal out.

   nrxi_fft_plan_f64(p, n, env)              complex and real transforms of length n >= 1
   nrxi_fft_drop_f64(p)                      frees and clears it
   nrxi_fft_work_f64(p)
   nrxi_fft_run_f64(p, inverse, in, out, work)    n complex numbers
   nrxi_rfft_run_f64(p, in, out, work)       n reals -> n/2 + 1 complex numbers
   nrxi_irfft_run_f64(p, in, out, work)      n/2 + 1 complex numbers (imaginary parts that must vanish are
                                             ignored) -> n reals
   nrxi_fft_columns_work_f64(p, count)
   nrxi_fft_columns_f64(p, inverse, count, in, in_stride, out, out_stride, work)
                                             `count` transforms side by side: sample j of column c is complex
                                             number j*stride + c
   nrxi_fft_good(n)                          the least fast length >= n that is a multiple of 8

   Method: Stockham autosort (Van Loan, Computational Frameworks for the Fast Fourier Transform, 1.7) on split
   real and imaginary parts, radices 8, 4, 2, 3, 5 and odd primes to 61, vectorised over the columns; one long
   transform of length 8 m runs as 8 columns of length m and a last, transposing radix-8 step; lengths with a
   larger prime factor by Bluestein's chirp transform. Error: a few eps log2(n) in the 2-norm. Twiddles come
   from exact octant reduction and a fixed polynomial: NRX_REPRODUCIBLE gives the same bits everywhere. */

enum { NRXI_FFT_PASSES = 64, NRXI_FFT_PRIME = 61, NRXI_FFT_VF64 = 4, NRXI_FFT_VF32 = 8 };

/* cos and sin of 2 pi k / n, 0 <= k < n: the octant is taken off exactly, Taylor polynomials do the rest.
   Error below 1.5 eps. */
NRXI_FN void nrxi_fft_root(size_t k, size_t n, double *c, double *s)
{
    size_t quarter, rest;
    double x, z, co, si, t;
    int flip;
    quarter = (4 * k) / n;
    rest = 4 * k - quarter * n;            /* angle = (quarter + rest / n) pi / 2 */
    flip = 2 * rest > n;
    if (flip) rest = n - rest;             /* mirrored at pi / 4 */
    x = (double)rest / (double)n * 1.57079632679489661923;
    z = x * x;
    co = z * (1.0 / 12.0)
         * (1.0
            - z * (1.0 / 30.0)
                  * (1.0
                     - z * (1.0 / 56.0)
                           * (1.0
                              - z * (1.0 / 90.0)
                                    * (1.0
                                       - z * (1.0 / 132.0)
                                             * (1.0 - z * (1.0 / 182.0) * (1.0 - z * (1.0 / 240.0)))))));
    co = 1.0 - 0.5 * z * (1.0 - co);
    si = z * (1.0 / 6.0)
         * (1.0
            - z * (1.0 / 20.0)
                  * (1.0
                     - z * (1.0 / 42.0)
                           * (1.0
                              - z * (1.0 / 72.0)
                                    * (1.0
                                       - z * (1.0 / 110.0)
                                             * (1.0 - z * (1.0 / 156.0) * (1.0 - z * (1.0 / 210.0)))))));
    si = x - x * si;
    if (flip) { t = co; co = si; si = t; }
    switch (quarter & 3u) {
    case 0:  *c = co;  *s = si;  break;
    case 1:  *c = -si; *s = co;  break;
    case 2:  *c = -co; *s = -si; break;
    default: *c = si;  *s = -co; break;
    }
}

typedef double nrxi_fft_wide; /* twiddles are computed in f64 for both precisions */

/* Splits n into radices; their count, or -1 when a prime is too large. */
NRXI_FN int nrxi_fft_factor(size_t n, unsigned char *radix)
{
    int count = 0, twos = 0;
    size_t r;
    for (; n % 2 == 0; n /= 2) twos++;
    if (twos % 2 && twos >= 3) { radix[count++] = 8; twos -= 3; }
    for (; twos >= 2; twos -= 2) radix[count++] = 4;
    if (twos) radix[count++] = 2;
    for (r = 3; r <= NRXI_FFT_PRIME; r += 2)
        for (; n % r == 0; n /= r) radix[count++] = (unsigned char)r;
    return n == 1 ? count : -1;
}

/* The least multiple of 8 of the form 2^a {1, 3, 5, 9, 15} that is at least n. */
NRXI_FN size_t nrxi_fft_good(size_t n)
{
    static const unsigned char odd[5] = { 1, 3, 5, 9, 15 };
    size_t best = 0, m;
    int i;
    for (i = 0; i < 5; i++) {
        for (m = 8u * odd[i]; m < n;) m *= 2;
        if (best == 0 || m < best) best = m;
    }
    return best;
}

/* One Stockham pass of radix r over x = r sub-arrays of m rows of s columns, with w = exp(-2 pi i / (r m)):
     y[q + s (r p + k)] = w^(p k) sum_j x[q + s (p + m j)] exp(-2 pi i j k / r),   p < m, q < s.
   The bodies below are shared by the scalar and the vector types: R element, T vector, TU its unaligned twin,
   V elements in T. The last vector of a row overlaps its predecessor when V does not divide s (never in place,
   so writing twice is harmless). */
#define NRXI_FFT_LD(TU, p) (*(const TU *)(const void *)(p))
#define NRXI_FFT_ST(TU, p, v) (*(TU *)(void *)(p) = (v))
#define NRXI_FFT_STEP(q, s, V)                                                                     \
    ((s) - (q) >= 2 * (size_t)(V) || (s) - (q) == (size_t)(V) ? (size_t)(V) : (s) - (q) - (size_t)(V))
#define NRXI_FFT_STW(TU, o, k, zr, zi) /* times twiddle k of row p, to output o */               \
    NRXI_FFT_ST(TU, yr + (o), (zr) * wr[(k) * m + p] - (zi) * wi[(k) * m + p]),                    \
    NRXI_FFT_ST(TU, yi + (o), (zr) * wi[(k) * m + p] + (zi) * wr[(k) * m + p])
#define NRXI_FFT_ROWS(V, r)                                                                        \
    for (p = 0; p < m; p++)                                                                        \
        for (q = 0, i = s * p, o = s * (r) * p; q < s; t = NRXI_FFT_STEP(q, s, V), q += t, i += t, o += t)

#define NRXI_FFT_BODY2(R, T, TU, V)                                                                \
    NRXI_FFT_ROWS(V, 2) {                                                                          \
        T ar = NRXI_FFT_LD(TU, xr + i), ai = NRXI_FFT_LD(TU, xi + i);                              \
        T br = NRXI_FFT_LD(TU, xr + i + sm), bi = NRXI_FFT_LD(TU, xi + i + sm);                    \
        T dr = ar - br, di = ai - bi;                                                              \
        NRXI_FFT_ST(TU, yr + o, ar + br);                                                          \
        NRXI_FFT_ST(TU, yi + o, ai + bi);                                                          \
        NRXI_FFT_STW(TU, o + s, 0, dr, di);                                                        \
    }

#define NRXI_FFT_BODY3(R, T, TU, V)                                                                \
    NRXI_FFT_ROWS(V, 3) {                                                                          \
        T ar = NRXI_FFT_LD(TU, xr + i), ai = NRXI_FFT_LD(TU, xi + i);                              \
        T br = NRXI_FFT_LD(TU, xr + i + sm), bi = NRXI_FFT_LD(TU, xi + i + sm);                    \
        T cr = NRXI_FFT_LD(TU, xr + i + 2 * sm), ci = NRXI_FFT_LD(TU, xi + i + 2 * sm);            \
        T pr = br + cr, pi = bi + ci;                                                              \
        T dr = (br - cr) * (R)0.86602540378443864676, di = (bi - ci) * (R)0.86602540378443864676;  \
        T hr = ar - pr * (R)0.5, hi = ai - pi * (R)0.5, ur = hr + di, ui = hi - dr;                \
        NRXI_FFT_ST(TU, yr + o, ar + pr);                                                          \
        NRXI_FFT_ST(TU, yi + o, ai + pi);                                                          \
        NRXI_FFT_STW(TU, o + s, 0, ur, ui);                                                        \
        ur = hr - di; ui = hi + dr;                                                                \
        NRXI_FFT_STW(TU, o + 2 * s, 1, ur, ui);                                                    \
    }

#define NRXI_FFT_BODY4(R, T, TU, V)                                                                \
    NRXI_FFT_ROWS(V, 4) {                                                                          \
        T ar = NRXI_FFT_LD(TU, xr + i), ai = NRXI_FFT_LD(TU, xi + i);                              \
        T br = NRXI_FFT_LD(TU, xr + i + sm), bi = NRXI_FFT_LD(TU, xi + i + sm);                    \
        T cr = NRXI_FFT_LD(TU, xr + i + 2 * sm), ci = NRXI_FFT_LD(TU, xi + i + 2 * sm);            \
        T dr = NRXI_FFT_LD(TU, xr + i + 3 * sm), di = NRXI_FFT_LD(TU, xi + i + 3 * sm);            \
        T er = ar + cr, ei = ai + ci, fr = ar - cr, fi = ai - ci;                                  \
        T gr = br + dr, gi = bi + di, hr = br - dr, hi = bi - di;                                  \
        NRXI_FFT_ST(TU, yr + o, er + gr);                                                          \
        NRXI_FFT_ST(TU, yi + o, ei + gi);                                                          \
        ar = fr + hi; ai = fi - hr;                                                                \
        NRXI_FFT_STW(TU, o + s, 0, ar, ai);                                                        \
        ar = er - gr; ai = ei - gi;                                                                \
        NRXI_FFT_STW(TU, o + 2 * s, 1, ar, ai);                                                    \
        ar = fr - hi; ai = fi + hr;                                                                \
        NRXI_FFT_STW(TU, o + 3 * s, 2, ar, ai);                                                    \
    }

#define NRXI_FFT_BODY5(R, T, TU, V)                                                                \
    NRXI_FFT_ROWS(V, 5) {                                                                          \
        const R c1 = (R)0.30901699437494742410, c2 = (R)-0.80901699437494742410;                   \
        const R s1 = (R)0.95105651629515357212, s2 = (R)0.58778525229247312917;                    \
        T ar = NRXI_FFT_LD(TU, xr + i), ai = NRXI_FFT_LD(TU, xi + i);                              \
        T br = NRXI_FFT_LD(TU, xr + i + sm), bi = NRXI_FFT_LD(TU, xi + i + sm);                    \
        T cr = NRXI_FFT_LD(TU, xr + i + 2 * sm), ci = NRXI_FFT_LD(TU, xi + i + 2 * sm);            \
        T dr = NRXI_FFT_LD(TU, xr + i + 3 * sm), di = NRXI_FFT_LD(TU, xi + i + 3 * sm);            \
        T er = NRXI_FFT_LD(TU, xr + i + 4 * sm), ei = NRXI_FFT_LD(TU, xi + i + 4 * sm);            \
        T pr = br + er, pi = bi + ei, ur = br - er, ui = bi - ei;                                  \
        T gr = cr + dr, gi = ci + di, vr = cr - dr, vi = ci - di;                                  \
        NRXI_FFT_ST(TU, yr + o, ar + pr + gr);                                                     \
        NRXI_FFT_ST(TU, yi + o, ai + pi + gi);                                                     \
        br = ar + pr * c1 + gr * c2; bi = ai + pi * c1 + gi * c2;                                  \
        cr = ar + pr * c2 + gr * c1; ci = ai + pi * c2 + gi * c1;                                  \
        dr = ui * s1 + vi * s2; di = ur * s1 + vr * s2;                                            \
        er = ui * s2 - vi * s1; ei = ur * s2 - vr * s1;                                            \
        pr = br + dr; pi = bi - di;                                                                \
        NRXI_FFT_STW(TU, o + s, 0, pr, pi);                                                        \
        pr = cr + er; pi = ci - ei;                                                                \
        NRXI_FFT_STW(TU, o + 2 * s, 1, pr, pi);                                                    \
        pr = cr - er; pi = ci + ei;                                                                \
        NRXI_FFT_STW(TU, o + 3 * s, 2, pr, pi);                                                    \
        pr = br - dr; pi = bi + di;                                                                \
        NRXI_FFT_STW(TU, o + 4 * s, 3, pr, pi);                                                    \
    }

/* Radix 8 in place on the arrays ur, ui: ur[k] becomes output k. */
#define NRXI_FFT_EIGHT(R, T)                                                                       \
    do {                                                                                           \
        const R h = (R)0.70710678118654752440;                                                     \
        T e0r = ur[0] + ur[4], e0i = ui[0] + ui[4], e1r = ur[0] - ur[4], e1i = ui[0] - ui[4];      \
        T e2r = ur[2] + ur[6], e2i = ui[2] + ui[6], e3r = ur[2] - ur[6], e3i = ui[2] - ui[6];      \
        T o0r = ur[1] + ur[5], o0i = ui[1] + ui[5], o1r = ur[1] - ur[5], o1i = ui[1] - ui[5];      \
        T o2r = ur[3] + ur[7], o2i = ui[3] + ui[7], o3r = ur[3] - ur[7], o3i = ui[3] - ui[7];      \
        T ar = e0r + e2r, ai = e0i + e2i, br = e0r - e2r, bi = e0i - e2i;                          \
        T cr = e1r + e3i, ci = e1i - e3r, dr = e1r - e3i, di = e1i + e3r;                          \
        T pr = o0r + o2r, pi = o0i + o2i, qr = o0i - o2i, qi = o2r - o0r;                          \
        T gr = o1r + o3i, gi = o1i - o3r, vr = o1r - o3i, vi = o1i + o3r;                          \
        T sr = (gr + gi) * h, si = (gi - gr) * h, tr = (vi - vr) * h, ti = (vr + vi) * -h;         \
        ur[0] = ar + pr; ui[0] = ai + pi; ur[4] = ar - pr; ui[4] = ai - pi;                        \
        ur[2] = br + qr; ui[2] = bi + qi; ur[6] = br - qr; ui[6] = bi - qi;                        \
        ur[1] = cr + sr; ui[1] = ci + si; ur[5] = cr - sr; ui[5] = ci - si;                        \
        ur[3] = dr + tr; ui[3] = di + ti; ur[7] = dr - tr; ui[7] = di - ti;                        \
    } while (0)

#define NRXI_FFT_BODY8(R, T, TU, V)                                                                \
    NRXI_FFT_ROWS(V, 8) {                                                                          \
        T ur[8], ui[8];                                                                            \
        int k;                                                                                     \
        for (k = 0; k < 8; k++) {                                                                  \
            ur[k] = NRXI_FFT_LD(TU, xr + i + (size_t)k * sm);                                      \
            ui[k] = NRXI_FFT_LD(TU, xi + i + (size_t)k * sm);                                      \
        }                                                                                          \
        NRXI_FFT_EIGHT(R, T);                                                                      \
        NRXI_FFT_ST(TU, yr + o, ur[0]);                                                            \
        NRXI_FFT_ST(TU, yi + o, ui[0]);                                                            \
        for (k = 1; k < 8; k++) NRXI_FFT_STW(TU, o + (size_t)k * s, (size_t)(k - 1), ur[k], ui[k]);  \
    }

/* Odd radix r by definition, on sums and differences of the pairs (j, r - j); root: r cosines, r sines. */
#define NRXI_FFT_BODYN(R, T, TU, V)                                                                \
    NRXI_FFT_ROWS(V, r) {                                                                          \
        T pr[NRXI_FFT_PRIME / 2], pi[NRXI_FFT_PRIME / 2], dr[NRXI_FFT_PRIME / 2], di[NRXI_FFT_PRIME / 2]; \
        T ar = NRXI_FFT_LD(TU, xr + i), ai = NRXI_FFT_LD(TU, xi + i), zr = ar, zi = ai;            \
        size_t j, k, jk, half = r / 2;                                                             \
        for (j = 0; j < half; j++) {                                                               \
            size_t f = i + (j + 1) * sm, g = i + (r - 1 - j) * sm;                                 \
            T br = NRXI_FFT_LD(TU, xr + f), bi = NRXI_FFT_LD(TU, xi + f);                          \
            T cr = NRXI_FFT_LD(TU, xr + g), ci = NRXI_FFT_LD(TU, xi + g);                          \
            pr[j] = br + cr; pi[j] = bi + ci; dr[j] = br - cr; di[j] = bi - ci;                    \
            zr = zr + pr[j]; zi = zi + pi[j];                                                      \
        }                                                                                          \
        NRXI_FFT_ST(TU, yr + o, zr);                                                               \
        NRXI_FFT_ST(TU, yi + o, zi);                                                               \
        for (k = 1; k <= half; k++) {                                                              \
            T cr = ar, ci = ai, er = di[0] * root[r + k], ei = dr[0] * root[r + k];                \
            cr = cr + pr[0] * root[k]; ci = ci + pi[0] * root[k];                                  \
            for (j = 1, jk = k; j < half; j++) {                                                   \
                jk += k;                                                                           \
                if (jk >= r) jk -= r;                                                              \
                cr = cr + pr[j] * root[jk]; ci = ci + pi[j] * root[jk];                            \
                er = er + di[j] * root[r + jk]; ei = ei + dr[j] * root[r + jk];                    \
            }                                                                                      \
            zr = cr + er; zi = ci - ei;                                                            \
            NRXI_FFT_STW(TU, o + k * s, k - 1, zr, zi);                                            \
            zr = cr - er; zi = ci + ei;                                                            \
            NRXI_FFT_STW(TU, o + (r - k) * s, r - k - 1, zr, zi);                                  \
        }                                                                                          \
    }

#define NRXI_FFT_BODIES(R, T, TU, V)                                                               \
    const R *wr = w, *wi = w + (r - 1) * m;                                                        \
    size_t p, q, i, o, t, sm = s * m;                                                              \
    switch (r) {                                                                                   \
    case 2: NRXI_FFT_BODY2(R, T, TU, V) break;                                                     \
    case 3: NRXI_FFT_BODY3(R, T, TU, V) break;                                                     \
    case 4: NRXI_FFT_BODY4(R, T, TU, V) break;                                                     \
    case 5: NRXI_FFT_BODY5(R, T, TU, V) break;                                                     \
    case 8: NRXI_FFT_BODY8(R, T, TU, V) break;                                                     \
    default: NRXI_FFT_BODYN(R, T, TU, V) break;                                                    \
    }

/* The last step of 8 m = n as 8 columns: y[p + m k] = sum_j w^(p j) x[8 p + j] exp(-2 pi i j k / 8). LOAD(u,
   x): u[j] = x[j], x[8 + j], ... */
#define NRXI_FFT_LAST(R, T, TU, V, LOAD)                                                           \
    const R *wr = w, *wi = w + 7 * m;                                                              \
    size_t p, t;                                                                                   \
    for (p = 0; p < m; t = NRXI_FFT_STEP(p, m, V), p += t) {                                       \
        T ur[8], ui[8];                                                                            \
        int k;                                                                                     \
        LOAD(ur, xr + 8 * p);                                                                      \
        LOAD(ui, xi + 8 * p);                                                                      \
        for (k = 1; k < 8; k++) {                                                                  \
            T cr = NRXI_FFT_LD(TU, wr + (size_t)(k - 1) * m + p), zr = ur[k];                      \
            T ci = NRXI_FFT_LD(TU, wi + (size_t)(k - 1) * m + p);                                  \
            ur[k] = zr * cr - ui[k] * ci;                                                          \
            ui[k] = zr * ci + ui[k] * cr;                                                          \
        }                                                                                          \
        NRXI_FFT_EIGHT(R, T);                                                                      \
        for (k = 0; k < 8; k++) {                                                                  \
            NRXI_FFT_ST(TU, yr + p + (size_t)k * m, ur[k]);                                        \
            NRXI_FFT_ST(TU, yi + p + (size_t)k * m, ui[k]);                                        \
        }                                                                                          \
    }
#define NRXI_FFT_LOAD1(u, x) do { int j_; for (j_ = 0; j_ < 8; j_++) (u)[j_] = (x)[j_]; } while (0)

/* Vector times scalar needs arithmetic without excess precision (gcc -m32 without SSE arithmetic promotes the
   scalar to long double). */
#if NRXI_VEC && (!defined(__FLT_EVAL_METHOD__) || __FLT_EVAL_METHOD__ == 0)
#define NRXI_FFT_VEC 1
#if NRXI_X86
#define NRXI_FFT_X86 1
#endif
typedef nrxi_f64x4 nrxi_fft_vf64;
typedef nrxi_f64x4u nrxi_fft_vf64u;
typedef nrxi_f32x8 nrxi_fft_vf32;
typedef nrxi_f32x8u nrxi_fft_vf32u;
#if defined(__clang__) || __GNUC__ >= 12
#define NRXI_FFT_MIX(a, b, I, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define NRXI_FFT_MIX(a, b, I, ...) __builtin_shuffle(a, b, __extension__ (I){ __VA_ARGS__ })
#endif
#define NRXI_FFT_MIX8(a, b, ...) NRXI_FFT_MIX(a, b, nrxi_i32x8, __VA_ARGS__)
#define NRXI_FFT_MIX4(a, b, ...) NRXI_FFT_MIX(a, b, nrxi_i64x4, __VA_ARGS__)
#define NRXI_FFT_EVEN_F64(a, b) NRXI_FFT_MIX4(a, b, 0, 2, 4, 6)
#define NRXI_FFT_ODD_F64(a, b) NRXI_FFT_MIX4(a, b, 1, 3, 5, 7)
#define NRXI_FFT_LOW_F64(a, b) NRXI_FFT_MIX4(a, b, 0, 4, 1, 5)
#define NRXI_FFT_HIGH_F64(a, b) NRXI_FFT_MIX4(a, b, 2, 6, 3, 7)
#define NRXI_FFT_BACK_F64(a) NRXI_FFT_MIX4(a, a, 3, 2, 1, 0)
#define NRXI_FFT_EVEN_F32(a, b) NRXI_FFT_MIX8(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#define NRXI_FFT_ODD_F32(a, b) NRXI_FFT_MIX8(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
#define NRXI_FFT_LOW_F32(a, b) NRXI_FFT_MIX8(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define NRXI_FFT_HIGH_F32(a, b) NRXI_FFT_MIX8(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define NRXI_FFT_BACK_F32(a) NRXI_FFT_MIX8(a, a, 7, 6, 5, 4, 3, 2, 1, 0)
/* u[j] = row j of the transposed block of V rows of 8 at x. */
#define NRXI_FFT_LOAD_F64(u, x)                                                                    \
    do {                                                                                           \
        int b_;                                                                                    \
        for (b_ = 0; b_ < 2; b_++) {                                                               \
            const double *x_ = (x) + 4 * b_;                                                       \
            nrxi_f64x4 r0_ = NRXI_FFT_LD(nrxi_f64x4u, x_), r1_ = NRXI_FFT_LD(nrxi_f64x4u, x_ + 8); \
            nrxi_f64x4 r2_ = NRXI_FFT_LD(nrxi_f64x4u, x_ + 16), r3_ = NRXI_FFT_LD(nrxi_f64x4u, x_ + 24); \
            nrxi_f64x4 t0_ = NRXI_FFT_MIX4(r0_, r1_, 0, 4, 2, 6);                                  \
            nrxi_f64x4 t1_ = NRXI_FFT_MIX4(r0_, r1_, 1, 5, 3, 7);                                  \
            nrxi_f64x4 t2_ = NRXI_FFT_MIX4(r2_, r3_, 0, 4, 2, 6);                                  \
            nrxi_f64x4 t3_ = NRXI_FFT_MIX4(r2_, r3_, 1, 5, 3, 7);                                  \
            (u)[4 * b_] = NRXI_FFT_MIX4(t0_, t2_, 0, 1, 4, 5);                                     \
            (u)[4 * b_ + 1] = NRXI_FFT_MIX4(t1_, t3_, 0, 1, 4, 5);                                 \
            (u)[4 * b_ + 2] = NRXI_FFT_MIX4(t0_, t2_, 2, 3, 6, 7);                                 \
            (u)[4 * b_ + 3] = NRXI_FFT_MIX4(t1_, t3_, 2, 3, 6, 7);                                 \
        }                                                                                          \
    } while (0)
#define NRXI_FFT_LOAD_F32(u, x)                                                                    \
    do {                                                                                           \
        nrxi_f32x8 a_[8], c_[8];                                                                   \
        int b_;                                                                                    \
        for (b_ = 0; b_ < 8; b_++) a_[b_] = NRXI_FFT_LD(nrxi_f32x8u, (x) + 8 * b_);                \
        for (b_ = 0; b_ < 8; b_ += 2) {                                                            \
            c_[b_] = NRXI_FFT_MIX8(a_[b_], a_[b_ + 1], 0, 8, 1, 9, 4, 12, 5, 13);                  \
            c_[b_ + 1] = NRXI_FFT_MIX8(a_[b_], a_[b_ + 1], 2, 10, 3, 11, 6, 14, 7, 15);            \
        }                                                                                          \
        for (b_ = 0; b_ < 8; b_ += 4) {                                                            \
            a_[b_] = NRXI_FFT_MIX8(c_[b_], c_[b_ + 2], 0, 1, 8, 9, 4, 5, 12, 13);                  \
            a_[b_ + 1] = NRXI_FFT_MIX8(c_[b_], c_[b_ + 2], 2, 3, 10, 11, 6, 7, 14, 15);            \
            a_[b_ + 2] = NRXI_FFT_MIX8(c_[b_ + 1], c_[b_ + 3], 0, 1, 8, 9, 4, 5, 12, 13);          \
            a_[b_ + 3] = NRXI_FFT_MIX8(c_[b_ + 1], c_[b_ + 3], 2, 3, 10, 11, 6, 7, 14, 15);        \
        }                                                                                          \
        for (b_ = 0; b_ < 4; b_++) {                                                               \
            (u)[b_] = NRXI_FFT_MIX8(a_[b_], a_[b_ + 4], 0, 1, 2, 3, 8, 9, 10, 11);                 \
            (u)[b_ + 4] = NRXI_FFT_MIX8(a_[b_], a_[b_ + 4], 4, 5, 6, 7, 12, 13, 14, 15);           \
        }                                                                                          \
    } while (0)
#endif

/* >>> twin f64 */
typedef struct nrxi_fft_f64 {
    size_t n;
    int eight; /* n = 8 m: the first radix is 8 and comes last when one transform runs alone */
    int passes;                        /* after that one */
    unsigned char radix[NRXI_FFT_PASSES];
    double *table; /* twiddles of all passes, then cosines and sines for the generic ones */
    double *root;
    struct nrxi_fft_f64 *half;         /* even n: the complex plan behind real transforms */
    double *real;                      /* cos, sin of 2 pi k / n for k <= n / 4 */
    struct nrxi_fft_f64 *sub;          /* Bluestein: plan of the convolution */
    double *chirp; /* cos, sin of pi j^2 / n, then the transformed kernel of the convolution */
    nrx_env env;
} nrxi_fft_f64;

NRXI_GLUE_BEGIN /* straight-line arithmetic: as fast so */
NRXI_FN void nrxi_fft_pass_f64(size_t r, size_t m, size_t s, const double *w, const double *root,
                               const double *NRX_RESTRICT xr, const double *NRX_RESTRICT xi,
                               double *NRX_RESTRICT yr,
                               double *NRX_RESTRICT yi){ NRXI_FFT_BODIES(double, double, double, 1) }
NRXI_GLUE_END

NRXI_FN void nrxi_fft_last_f64(size_t m, const double *w, const double *NRX_RESTRICT xr,
                               const double *NRX_RESTRICT xi, double *NRX_RESTRICT yr,
                               double *NRX_RESTRICT yi){ NRXI_FFT_LAST(double, double, double, 1,
                                                                       NRXI_FFT_LOAD1) }

#if NRXI_FFT_VEC && !NRXI_FFT_X86
NRXI_FN void nrxi_fft_pass_vec_f64(size_t r, size_t m, size_t s, const double *w, const double *root,
                                   const double *NRX_RESTRICT xr, const double *NRX_RESTRICT xi,
                                   double *NRX_RESTRICT yr, double *NRX_RESTRICT yi){
    NRXI_FFT_BODIES(double, nrxi_fft_vf64, nrxi_fft_vf64u, NRXI_FFT_VF64)
}
#endif

#if NRXI_FFT_X86
NRXI_AVX2 NRXI_FN
    void nrxi_fft_pass_avx2_f64(size_t r, size_t m, size_t s, const double *w, const double *root,
                                const double *NRX_RESTRICT xr, const double *NRX_RESTRICT xi,
                                double *NRX_RESTRICT yr, double *NRX_RESTRICT yi){
        NRXI_FFT_BODIES(double, nrxi_fft_vf64, nrxi_fft_vf64u, NRXI_FFT_VF64)
    }

NRXI_AVX2 NRXI_FN
    void nrxi_fft_last_avx2_f64(size_t m, const double *w, const double *NRX_RESTRICT xr,
                                const double *NRX_RESTRICT xi, double *NRX_RESTRICT yr,
                                double *NRX_RESTRICT yi){ NRXI_FFT_LAST(double, nrxi_fft_vf64, nrxi_fft_vf64u,
                                                                        NRXI_FFT_VF64, NRXI_FFT_LOAD_F64) }

/* xr, xi = real and imaginary parts of n numbers at z, n a multiple of the vector length; and back. */
NRXI_AVX2 NRXI_FN void nrxi_fft_split_avx2_f64(size_t n, const double *z, double *xr, double *xi)
{
    size_t i;
    for (i = 0; i < n; i += NRXI_FFT_VF64) {
        nrxi_fft_vf64 a = NRXI_FFT_LD(nrxi_fft_vf64u, z + 2 * i),
                      b = NRXI_FFT_LD(nrxi_fft_vf64u, z + 2 * i + NRXI_FFT_VF64);
        NRXI_FFT_ST(nrxi_fft_vf64u, xr + i, NRXI_FFT_EVEN_F64(a, b));
        NRXI_FFT_ST(nrxi_fft_vf64u, xi + i, NRXI_FFT_ODD_F64(a, b));
    }
}

NRXI_AVX2 NRXI_FN void nrxi_fft_merge_avx2_f64(size_t n, const double *xr, const double *xi, double *z)
{
    size_t i;
    for (i = 0; i < n; i += NRXI_FFT_VF64) {
        nrxi_fft_vf64 a = NRXI_FFT_LD(nrxi_fft_vf64u, xr + i), b = NRXI_FFT_LD(nrxi_fft_vf64u, xi + i);
        NRXI_FFT_ST(nrxi_fft_vf64u, z + 2 * i, NRXI_FFT_LOW_F64(a, b));
        NRXI_FFT_ST(nrxi_fft_vf64u, z + 2 * i + NRXI_FFT_VF64, NRXI_FFT_HIGH_F64(a, b));
    }
}
#endif

NRXI_FN void nrxi_fft_split_f64(size_t n, const double *z, double *xr, double *xi)
{
    size_t i = 0;
#if NRXI_FFT_X86
    if (n >= NRXI_FFT_VF64 && nrxi_cpu_avx2()) nrxi_fft_split_avx2_f64(i = n - n % NRXI_FFT_VF64, z, xr, xi);
#endif
    for (; i < n; i++) {
        double re = z[2 * i], im = z[2 * i + 1];
        xr[i] = re;
        xi[i] = im;
    }
}

NRXI_FN void nrxi_fft_merge_f64(size_t n, const double *xr, const double *xi, double *z)
{
    size_t i = 0;
#if NRXI_FFT_X86
    if (n >= NRXI_FFT_VF64 && nrxi_cpu_avx2()) nrxi_fft_merge_avx2_f64(i = n - n % NRXI_FFT_VF64, xr, xi, z);
#endif
    for (; i < n; i++) {
        z[2 * i] = xr[i];
        z[2 * i + 1] = xi[i];
    }
}

/* Distance from the real to the imaginary half of a split buffer: never a large power of two, which would
   thrash the caches. */
NRXI_FN size_t nrxi_fft_gap_f64(size_t n) { return ((n + 15) & ~(size_t)15) + 48; }

NRXI_FN size_t nrxi_fft_columns_work_f64(const nrxi_fft_f64 *p, size_t count)
{
    size_t size = 4 * nrxi_fft_gap_f64(p->n * count);
    return p->sub ? size + 4 * nrxi_fft_gap_f64(p->sub->n * count) : size;
}
NRXI_FN size_t nrxi_fft_work_f64(const nrxi_fft_f64 *p) { return nrxi_fft_columns_work_f64(p, 1); }

NRXI_FN void nrxi_fft_one_pass_f64(size_t r, size_t m, size_t s, const double *w, const double *root,
                                   const double *x, size_t gap, double *y)
{
#if NRXI_FFT_X86
    if (s >= NRXI_FFT_VF64 && nrxi_cpu_avx2()) {
        nrxi_fft_pass_avx2_f64(r, m, s, w, root, x, x + gap, y, y + gap);
        return;
    }
#elif NRXI_FFT_VEC
    if (s >= NRXI_FFT_VF64) { nrxi_fft_pass_vec_f64(r, m, s, w, root, x, x + gap, y, y + gap); return; }
#endif
    nrxi_fft_pass_f64(r, m, s, w, root, x, x + gap, y, y + gap);
}

/* `count` smooth transforms side by side, split in a (real at a, imaginary at a + gap), b as large; returns
   where the result is. flip exchanges the roles of the halves, which makes it the inverse. */
NRXI_FN double *nrxi_fft_smooth_f64(const nrxi_fft_f64 *p, size_t count, double *a, double *b, size_t gap)
{
    const double *w = p->table, *root = p->root, *first = w;
    size_t left = p->n, s = count;
    double *t;
    int i;
    if (p->eight) {
        left /= 8;
        w += 14 * left;
        if (count > 1) {
            nrxi_fft_one_pass_f64(8, left, s, first, root, a, gap, b);
            t = a; a = b; b = t;
        }
        s *= 8;
    }
    for (i = 0; i < p->passes; i++) {
        size_t r = p->radix[i];
        left /= r;
        nrxi_fft_one_pass_f64(r, left, s, w, root, a, gap, b);
        t = a; a = b; b = t;
        w += 2 * (r - 1) * left;
        if (r > 5 && r != 8) root += 2 * r;
        s *= r;
    }
    if (p->eight && count == 1) {
        size_t m = p->n / 8;
#if NRXI_FFT_X86
        if (m >= NRXI_FFT_VF64 && nrxi_cpu_avx2()) nrxi_fft_last_avx2_f64(m, first, a, a + gap, b, b + gap);
        else
#endif
        nrxi_fft_last_f64(m, first, a, a + gap, b, b + gap);
        t = a; a = b; b = t;
    }
    return a;
}

/* Exchanges the halves: forward becomes inverse. */
NRXI_FN void nrxi_fft_swap_f64(size_t n, double *a, size_t gap)
{
    size_t i;
    for (i = 0; i < n; i++) { double t = a[i]; a[i] = a[gap + i]; a[gap + i] = t; }
}

/* The same for any length: Bluestein writes jk = (j^2 + k^2 - (k - j)^2) / 2, a convolution of length >= 2 n
   - 1. */
NRXI_FN double *nrxi_fft_split_run_f64(const nrxi_fft_f64 *p, size_t count, double *a, double *b, size_t gap)
{
    size_t n = p->n, m, gap2, j, c;
    const double *co, *si, *kr, *ki;
    double *u, *v, *r;
    if (!p->sub) return nrxi_fft_smooth_f64(p, count, a, b, gap);
    m = p->sub->n;
    co = p->chirp;
    si = co + n;
    kr = si + n;
    ki = kr + m;
    gap2 = nrxi_fft_gap_f64(m * count);
    u = b + 2 * gap; /* the work of nrxi_fft_columns_work goes on behind b */
    v = u + 2 * gap2;
    for (j = 0; j < n; j++)
        for (c = j * count; c < (j + 1) * count; c++) {
            u[c] = a[c] * co[j] + a[gap + c] * si[j];
            u[gap2 + c] = a[gap + c] * co[j] - a[c] * si[j];
        }
    memset(u + n * count, 0, (m - n) * count * sizeof *u);
    memset(u + gap2 + n * count, 0, (m - n) * count * sizeof *u);
    r = nrxi_fft_smooth_f64(p->sub, count, u, v, gap2);
    for (j = 0; j < m; j++)
        /* times the kernel; halves exchanged for the inverse */
        for (c = j * count; c < (j + 1) * count; c++) {
            double re = r[c] * kr[j] - r[gap2 + c] * ki[j], im = r[c] * ki[j] + r[gap2 + c] * kr[j];
            r[c] = im;
            r[gap2 + c] = re;
        }
    r = nrxi_fft_smooth_f64(p->sub, count, r, r == u ? v : u, gap2);
    for (j = 0; j < n; j++)
        for (c = j * count; c < (j + 1) * count; c++) {
            b[c] = r[gap2 + c] * co[j] + r[c] * si[j];
            b[gap + c] = r[c] * co[j] - r[gap2 + c] * si[j];
        }
    return b;
}

NRXI_FN void nrxi_fft_run_f64(const nrxi_fft_f64 *p, int inverse, const double *in, double *out, double *work)
{
    size_t n = p->n, gap = nrxi_fft_gap_f64(n), re = inverse ? gap : 0;
    double *r;
    nrxi_fft_split_f64(n, in, work + re, work + gap - re);
    r = nrxi_fft_split_run_f64(p, 1, work, work + 2 * gap, gap);
    nrxi_fft_merge_f64(n, r + re, r + gap - re, out);
}

NRXI_FN void nrxi_fft_columns_f64(const nrxi_fft_f64 *p, int inverse, size_t count, const double *in,
                                  size_t in_stride, double *out, size_t out_stride, double *work)
{
    size_t n = p->n, gap = nrxi_fft_gap_f64(n * count), re = inverse ? gap : 0, j;
    double *r;
    for (j = 0; j < n; j++)
        nrxi_fft_split_f64(count, in + 2 * j * in_stride, work + re + j * count, work + gap - re + j * count);
    r = nrxi_fft_split_run_f64(p, count, work, work + 2 * gap, gap);
    for (j = 0; j < n; j++)
        nrxi_fft_merge_f64(count, r + re + j * count, r + gap - re + j * count, out + 2 * j * out_stride);
}

/* Even n = 2 h: z_j = x_2j + i x_2j+1 has the transform Z; X_k = E + w^k O with E, O from Z_k and
   conj(Z_h-k). */
NRXI_FN void nrxi_rfft_run_f64(const nrxi_fft_f64 *p, const double *in, double *out, double *work)
{
    size_t n = p->n, h = n / 2, gap, k;
    const double *r;
    if (!p->half) {
        gap = nrxi_fft_gap_f64(n);
        memcpy(work, in, n * sizeof *in);
        memset(work + gap, 0, n * sizeof *in);
        r = nrxi_fft_split_run_f64(p, 1, work, work + 2 * gap, gap);
        nrxi_fft_merge_f64(h + 1, r, r + gap, out);
        out[1] = 0;
        return;
    }
    gap = nrxi_fft_gap_f64(h);
    nrxi_fft_split_f64(h, in, work, work + gap);
    r = nrxi_fft_split_run_f64(p->half, 1, work, work + 2 * gap, gap);
    out[0] = r[0] + r[gap];
    out[2 * h] = r[0] - r[gap];
    out[1] = out[2 * h + 1] = 0;
    for (k = 1; 2 * k <= h; k++) {
        double c = p->real[2 * k], s = p->real[2 * k + 1], half = (double)0.5;
        double er = half * (r[k] + r[h - k]), ei = half * (r[gap + k] - r[gap + h - k]);
        double or_ = half * (r[gap + k] + r[gap + h - k]), oi = half * (r[h - k] - r[k]);
        double tr = c * or_ + s * oi, ti = c * oi - s * or_;
        out[2 * k] = er + tr;
        out[2 * k + 1] = ei + ti;
        out[2 * (h - k)] = er - tr;
        out[2 * (h - k) + 1] = ti - ei;
    }
}

NRXI_FN void nrxi_irfft_run_f64(const nrxi_fft_f64 *p, const double *in, double *out, double *work)
{
    size_t n = p->n, h = n / 2, gap, k;
    double *r;
    if (!p->half) {
        gap = nrxi_fft_gap_f64(n);
        work[gap] = in[0];
        work[0] = 0;
        for (k = 1; k <= h; k++) { /* halves exchanged */
            work[gap + k] = work[gap + n - k] = in[2 * k];
            work[k] = in[2 * k + 1];
            work[n - k] = -in[2 * k + 1];
        }
        r = nrxi_fft_split_run_f64(p, 1, work, work + 2 * gap, gap);
        memcpy(out, r + gap, n * sizeof *out);
        return;
    }
    gap = nrxi_fft_gap_f64(h);
    work[gap] = in[0] + in[2 * h];
    work[0] = in[0] - in[2 * h];
    for (k = 1; 2 * k <= h; k++) {
        double c = p->real[2 * k], s = p->real[2 * k + 1];
        double er = in[2 * k] + in[2 * (h - k)], ei = in[2 * k + 1] - in[2 * (h - k) + 1];
        double tr = in[2 * k] - in[2 * (h - k)], ti = in[2 * k + 1] + in[2 * (h - k) + 1];
        double or_ = c * tr - s * ti, oi = c * ti + s * tr;
        work[gap + k] = er - oi;
        work[k] = ei + or_;
        work[gap + h - k] = er + oi;
        work[h - k] = or_ - ei;
    }
    r = nrxi_fft_split_run_f64(p->half, 1, work, work + 2 * gap, gap);
    nrxi_fft_merge_f64(h, r + gap, r, out);
}

/* ---- plans ---- */

NRXI_FN void nrxi_fft_drop_f64(nrxi_fft_f64 *p)
{
    nrx_env env = p->env;
    if (p->half) nrxi_fft_drop_f64(p->half);
    if (p->sub) nrxi_fft_drop_f64(p->sub);
    nrxi_free(&env, p->half);
    nrxi_free(&env, p->sub);
    nrxi_free(&env, p->table);
    nrxi_free(&env, p->chirp);
    nrxi_free(&env, p->real);
    memset(p, 0, sizeof *p);
    p->env = env;
}

/* Twiddles of a pass of radix r over m rows: real parts [k-1][row], then imaginary parts. */
NRXI_FN double *nrxi_fft_twiddles_f64(double *w, size_t r, size_t m)
{
    size_t k, row;
    nrxi_fft_wide c, s;
    for (k = 1; k < r; k++)
        for (row = 0; row < m; row++) {
            nrxi_fft_root(row * k, r * m, &c, &s);
            w[(k - 1) * m + row] = (double)c;
            w[(r + k - 2) * m + row] = (double)-s;
        }
    return w + 2 * (r - 1) * m;
}

/* Plan of a length whose primes are at most NRXI_FFT_PRIME; NRX_E_UNSUPPORTED for others. */
NRXI_FN nrx_status nrxi_fft_smooth_plan_f64(nrxi_fft_f64 *p, size_t n, const nrx_env *env)
{
    size_t left, total = 0, k;
    nrxi_fft_wide c, s;
    double *w;
    int i;
    memset(p, 0, sizeof *p);
    if (env) p->env = *env;
    p->n = n;
    p->eight = n % 8 == 0;
    left = p->eight ? n / 8 : n;
    p->passes = nrxi_fft_factor(left, p->radix);
    if (p->passes < 0) return NRX_E_UNSUPPORTED;
    if (p->eight) total = 14 * left;
    for (i = 0; i < p->passes; i++) {
        size_t r = p->radix[i];
        left /= r;
        total += 2 * (r - 1) * left + 2 * r;
    }
    w = p->table = (double *)nrxi_alloc(env, total + 1, sizeof *w);
    if (!w) return NRX_E_NOMEM;
    left = n;
    if (p->eight) w = nrxi_fft_twiddles_f64(w, 8, left /= 8);
    for (i = 0; i < p->passes; i++) w = nrxi_fft_twiddles_f64(w, p->radix[i], left /= p->radix[i]);
    p->root = w;
    for (i = 0; i < p->passes; i++) {
        size_t r = p->radix[i];
        if (r <= 5 || r == 8) continue;
        for (k = 0; k < r; k++) {
            nrxi_fft_root(k, r, &c, &s);
            w[k] = (double)c;
            w[r + k] = (double)s;
        }
        w += 2 * r;
    }
    return NRX_OK;
}

/* Chirp and transformed kernel of Bluestein's algorithm. */
NRXI_FN nrx_status nrxi_fft_chirp_plan_f64(nrxi_fft_f64 *p, const nrx_env *env)
{
    size_t n = p->n, m = nrxi_fft_good(2 * n - 1), gap = nrxi_fft_gap_f64(m), j, square = 0;
    double *co, *si, *kernel, *buffer, *r, scale = 1 / (double)m;
    nrx_status status;
    p->sub = (struct nrxi_fft_f64 *)nrxi_calloc(env, 1, sizeof *p);
    if (!p->sub) return NRX_E_NOMEM;
    status = nrxi_fft_smooth_plan_f64(p->sub, m, env);
    if (status != NRX_OK) return status;
    p->chirp = (double *)nrxi_alloc(env, 2 * n + 2 * m, sizeof *co);
    if (!p->chirp) return NRX_E_NOMEM;
    buffer = (double *)nrxi_calloc(env, 4 * gap, sizeof *buffer);
    if (!buffer) return NRX_E_NOMEM;
    co = p->chirp;
    si = co + n;
    kernel = si + n;
    for (j = 0; j < n; j++) { /* square = j^2 mod 2 n */
        nrxi_fft_wide c, s;
        nrxi_fft_root(square, 2 * n, &c, &s);
        co[j] = (double)c;
        si[j] = (double)s;
        buffer[j] = buffer[(m - j) % m] = co[j] * scale;
        buffer[gap + j] = buffer[gap + (m - j) % m] = si[j] * scale;
        square = (square + 2 * j + 1) % (2 * n);
    }
    r = nrxi_fft_smooth_f64(p->sub, 1, buffer, buffer + 2 * gap, gap);
    memcpy(kernel, r, m * sizeof *r);
    memcpy(kernel + m, r + gap, m * sizeof *r);
    nrxi_free(env, buffer);
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_fft_complex_plan_f64(nrxi_fft_f64 *p, size_t n, const nrx_env *env)
{
    nrx_status status = nrxi_fft_smooth_plan_f64(p, n, env);
    if (status == NRX_E_UNSUPPORTED) status = nrxi_fft_chirp_plan_f64(p, env);
    return status;
}

NRXI_FN nrx_status nrxi_fft_plan_f64(nrxi_fft_f64 *p, size_t n, const nrx_env *env)
{
    size_t k;
    nrxi_fft_wide c, s;
    nrx_status status;
    memset(p, 0, sizeof *p);
    if (n == 0) return nrxi_fail(env, NRX_E_ARG, "nrx fft: length 0");
    if (n > (size_t)-1 / 2048) return nrxi_fail(env, NRX_E_RANGE, "nrx fft: length %zu overflows", n);
    status = nrxi_fft_complex_plan_f64(p, n, env);
    if (status == NRX_OK && n % 2 == 0) {
        p->half = (struct nrxi_fft_f64 *)nrxi_calloc(env, 1, sizeof *p);
        p->real = (double *)nrxi_alloc(env, 2 * (n / 4 + 1), sizeof *p->real);
        status = p->half && p->real ? nrxi_fft_complex_plan_f64(p->half, n / 2, env) : NRX_E_NOMEM;
        for (k = 0; status == NRX_OK && k <= n / 4; k++) {
            nrxi_fft_root(k, n, &c, &s);
            p->real[2 * k] = (double)c;
            p->real[2 * k + 1] = (double)s;
        }
    }
    if (status == NRX_OK) return status;
    nrxi_fft_drop_f64(p);
    return nrxi_fail(env, status, "nrx fft: no memory for a plan of length %zu", n);
}
/* === twin f32 */
typedef struct nrxi_fft_f32 {
    size_t n;
    int eight; /* n = 8 m: the first radix is 8 and comes last when one transform runs alone */
    int passes;                        /* after that one */
    unsigned char radix[NRXI_FFT_PASSES];
    float *table; /* twiddles of all passes, then cosines and sines for the generic ones */
    float *root;
    struct nrxi_fft_f32 *half;         /* even n: the complex plan behind real transforms */
    float *real;                      /* cos, sin of 2 pi k / n for k <= n / 4 */
    struct nrxi_fft_f32 *sub;          /* Bluestein: plan of the convolution */
    float *chirp; /* cos, sin of pi j^2 / n, then the transformed kernel of the convolution */
    nrx_env env;
} nrxi_fft_f32;

NRXI_GLUE_BEGIN /* straight-line arithmetic: as fast so */
NRXI_FN void nrxi_fft_pass_f32(size_t r, size_t m, size_t s, const float *w, const float *root,
                               const float *NRX_RESTRICT xr, const float *NRX_RESTRICT xi,
                               float *NRX_RESTRICT yr,
                               float *NRX_RESTRICT yi){ NRXI_FFT_BODIES(float, float, float, 1) }
NRXI_GLUE_END

NRXI_FN void nrxi_fft_last_f32(size_t m, const float *w, const float *NRX_RESTRICT xr,
                               const float *NRX_RESTRICT xi, float *NRX_RESTRICT yr,
                               float *NRX_RESTRICT yi){ NRXI_FFT_LAST(float, float, float, 1,
                                                                       NRXI_FFT_LOAD1) }

#if NRXI_FFT_VEC && !NRXI_FFT_X86
NRXI_FN void nrxi_fft_pass_vec_f32(size_t r, size_t m, size_t s, const float *w, const float *root,
                                   const float *NRX_RESTRICT xr, const float *NRX_RESTRICT xi,
                                   float *NRX_RESTRICT yr, float *NRX_RESTRICT yi){
    NRXI_FFT_BODIES(float, nrxi_fft_vf32, nrxi_fft_vf32u, NRXI_FFT_VF32)
}
#endif

#if NRXI_FFT_X86
NRXI_AVX2 NRXI_FN
    void nrxi_fft_pass_avx2_f32(size_t r, size_t m, size_t s, const float *w, const float *root,
                                const float *NRX_RESTRICT xr, const float *NRX_RESTRICT xi,
                                float *NRX_RESTRICT yr, float *NRX_RESTRICT yi){
        NRXI_FFT_BODIES(float, nrxi_fft_vf32, nrxi_fft_vf32u, NRXI_FFT_VF32)
    }

NRXI_AVX2 NRXI_FN
    void nrxi_fft_last_avx2_f32(size_t m, const float *w, const float *NRX_RESTRICT xr,
                                const float *NRX_RESTRICT xi, float *NRX_RESTRICT yr,
                                float *NRX_RESTRICT yi){ NRXI_FFT_LAST(float, nrxi_fft_vf32, nrxi_fft_vf32u,
                                                                        NRXI_FFT_VF32, NRXI_FFT_LOAD_F32) }

/* xr, xi = real and imaginary parts of n numbers at z, n a multiple of the vector length; and back. */
NRXI_AVX2 NRXI_FN void nrxi_fft_split_avx2_f32(size_t n, const float *z, float *xr, float *xi)
{
    size_t i;
    for (i = 0; i < n; i += NRXI_FFT_VF32) {
        nrxi_fft_vf32 a = NRXI_FFT_LD(nrxi_fft_vf32u, z + 2 * i),
                      b = NRXI_FFT_LD(nrxi_fft_vf32u, z + 2 * i + NRXI_FFT_VF32);
        NRXI_FFT_ST(nrxi_fft_vf32u, xr + i, NRXI_FFT_EVEN_F32(a, b));
        NRXI_FFT_ST(nrxi_fft_vf32u, xi + i, NRXI_FFT_ODD_F32(a, b));
    }
}

NRXI_AVX2 NRXI_FN void nrxi_fft_merge_avx2_f32(size_t n, const float *xr, const float *xi, float *z)
{
    size_t i;
    for (i = 0; i < n; i += NRXI_FFT_VF32) {
        nrxi_fft_vf32 a = NRXI_FFT_LD(nrxi_fft_vf32u, xr + i), b = NRXI_FFT_LD(nrxi_fft_vf32u, xi + i);
        NRXI_FFT_ST(nrxi_fft_vf32u, z + 2 * i, NRXI_FFT_LOW_F32(a, b));
        NRXI_FFT_ST(nrxi_fft_vf32u, z + 2 * i + NRXI_FFT_VF32, NRXI_FFT_HIGH_F32(a, b));
    }
}
#endif

NRXI_FN void nrxi_fft_split_f32(size_t n, const float *z, float *xr, float *xi)
{
    size_t i = 0;
#if NRXI_FFT_X86
    if (n >= NRXI_FFT_VF32 && nrxi_cpu_avx2()) nrxi_fft_split_avx2_f32(i = n - n % NRXI_FFT_VF32, z, xr, xi);
#endif
    for (; i < n; i++) {
        float re = z[2 * i], im = z[2 * i + 1];
        xr[i] = re;
        xi[i] = im;
    }
}

NRXI_FN void nrxi_fft_merge_f32(size_t n, const float *xr, const float *xi, float *z)
{
    size_t i = 0;
#if NRXI_FFT_X86
    if (n >= NRXI_FFT_VF32 && nrxi_cpu_avx2()) nrxi_fft_merge_avx2_f32(i = n - n % NRXI_FFT_VF32, xr, xi, z);
#endif
    for (; i < n; i++) {
        z[2 * i] = xr[i];
        z[2 * i + 1] = xi[i];
    }
}

/* Distance from the real to the imaginary half of a split buffer: never a large power of two, which would
   thrash the caches. */
NRXI_FN size_t nrxi_fft_gap_f32(size_t n) { return ((n + 15) & ~(size_t)15) + 48; }

NRXI_FN size_t nrxi_fft_columns_work_f32(const nrxi_fft_f32 *p, size_t count)
{
    size_t size = 4 * nrxi_fft_gap_f32(p->n * count);
    return p->sub ? size + 4 * nrxi_fft_gap_f32(p->sub->n * count) : size;
}
NRXI_FN size_t nrxi_fft_work_f32(const nrxi_fft_f32 *p) { return nrxi_fft_columns_work_f32(p, 1); }

NRXI_FN void nrxi_fft_one_pass_f32(size_t r, size_t m, size_t s, const float *w, const float *root,
                                   const float *x, size_t gap, float *y)
{
#if NRXI_FFT_X86
    if (s >= NRXI_FFT_VF32 && nrxi_cpu_avx2()) {
        nrxi_fft_pass_avx2_f32(r, m, s, w, root, x, x + gap, y, y + gap);
        return;
    }
#elif NRXI_FFT_VEC
    if (s >= NRXI_FFT_VF32) { nrxi_fft_pass_vec_f32(r, m, s, w, root, x, x + gap, y, y + gap); return; }
#endif
    nrxi_fft_pass_f32(r, m, s, w, root, x, x + gap, y, y + gap);
}

/* `count` smooth transforms side by side, split in a (real at a, imaginary at a + gap), b as large; returns
   where the result is. flip exchanges the roles of the halves, which makes it the inverse. */
NRXI_FN float *nrxi_fft_smooth_f32(const nrxi_fft_f32 *p, size_t count, float *a, float *b, size_t gap)
{
    const float *w = p->table, *root = p->root, *first = w;
    size_t left = p->n, s = count;
    float *t;
    int i;
    if (p->eight) {
        left /= 8;
        w += 14 * left;
        if (count > 1) {
            nrxi_fft_one_pass_f32(8, left, s, first, root, a, gap, b);
            t = a; a = b; b = t;
        }
        s *= 8;
    }
    for (i = 0; i < p->passes; i++) {
        size_t r = p->radix[i];
        left /= r;
        nrxi_fft_one_pass_f32(r, left, s, w, root, a, gap, b);
        t = a; a = b; b = t;
        w += 2 * (r - 1) * left;
        if (r > 5 && r != 8) root += 2 * r;
        s *= r;
    }
    if (p->eight && count == 1) {
        size_t m = p->n / 8;
#if NRXI_FFT_X86
        if (m >= NRXI_FFT_VF32 && nrxi_cpu_avx2()) nrxi_fft_last_avx2_f32(m, first, a, a + gap, b, b + gap);
        else
#endif
        nrxi_fft_last_f32(m, first, a, a + gap, b, b + gap);
        t = a; a = b; b = t;
    }
    return a;
}

/* Exchanges the halves: forward becomes inverse. */
NRXI_FN void nrxi_fft_swap_f32(size_t n, float *a, size_t gap)
{
    size_t i;
    for (i = 0; i < n; i++) { float t = a[i]; a[i] = a[gap + i]; a[gap + i] = t; }
}

/* The same for any length: Bluestein writes jk = (j^2 + k^2 - (k - j)^2) / 2, a convolution of length >= 2 n
   - 1. */
NRXI_FN float *nrxi_fft_split_run_f32(const nrxi_fft_f32 *p, size_t count, float *a, float *b, size_t gap)
{
    size_t n = p->n, m, gap2, j, c;
    const float *co, *si, *kr, *ki;
    float *u, *v, *r;
    if (!p->sub) return nrxi_fft_smooth_f32(p, count, a, b, gap);
    m = p->sub->n;
    co = p->chirp;
    si = co + n;
    kr = si + n;
    ki = kr + m;
    gap2 = nrxi_fft_gap_f32(m * count);
    u = b + 2 * gap; /* the work of nrxi_fft_columns_work goes on behind b */
    v = u + 2 * gap2;
    for (j = 0; j < n; j++)
        for (c = j * count; c < (j + 1) * count; c++) {
            u[c] = a[c] * co[j] + a[gap + c] * si[j];
            u[gap2 + c] = a[gap + c] * co[j] - a[c] * si[j];
        }
    memset(u + n * count, 0, (m - n) * count * sizeof *u);
    memset(u + gap2 + n * count, 0, (m - n) * count * sizeof *u);
    r = nrxi_fft_smooth_f32(p->sub, count, u, v, gap2);
    for (j = 0; j < m; j++)
        /* times the kernel; halves exchanged for the inverse */
        for (c = j * count; c < (j + 1) * count; c++) {
            float re = r[c] * kr[j] - r[gap2 + c] * ki[j], im = r[c] * ki[j] + r[gap2 + c] * kr[j];
            r[c] = im;
            r[gap2 + c] = re;
        }
    r = nrxi_fft_smooth_f32(p->sub, count, r, r == u ? v : u, gap2);
    for (j = 0; j < n; j++)
        for (c = j * count; c < (j + 1) * count; c++) {
            b[c] = r[gap2 + c] * co[j] + r[c] * si[j];
            b[gap + c] = r[c] * co[j] - r[gap2 + c] * si[j];
        }
    return b;
}

NRXI_FN void nrxi_fft_run_f32(const nrxi_fft_f32 *p, int inverse, const float *in, float *out, float *work)
{
    size_t n = p->n, gap = nrxi_fft_gap_f32(n), re = inverse ? gap : 0;
    float *r;
    nrxi_fft_split_f32(n, in, work + re, work + gap - re);
    r = nrxi_fft_split_run_f32(p, 1, work, work + 2 * gap, gap);
    nrxi_fft_merge_f32(n, r + re, r + gap - re, out);
}

NRXI_FN void nrxi_fft_columns_f32(const nrxi_fft_f32 *p, int inverse, size_t count, const float *in,
                                  size_t in_stride, float *out, size_t out_stride, float *work)
{
    size_t n = p->n, gap = nrxi_fft_gap_f32(n * count), re = inverse ? gap : 0, j;
    float *r;
    for (j = 0; j < n; j++)
        nrxi_fft_split_f32(count, in + 2 * j * in_stride, work + re + j * count, work + gap - re + j * count);
    r = nrxi_fft_split_run_f32(p, count, work, work + 2 * gap, gap);
    for (j = 0; j < n; j++)
        nrxi_fft_merge_f32(count, r + re + j * count, r + gap - re + j * count, out + 2 * j * out_stride);
}

/* Even n = 2 h: z_j = x_2j + i x_2j+1 has the transform Z; X_k = E + w^k O with E, O from Z_k and
   conj(Z_h-k). */
NRXI_FN void nrxi_rfft_run_f32(const nrxi_fft_f32 *p, const float *in, float *out, float *work)
{
    size_t n = p->n, h = n / 2, gap, k;
    const float *r;
    if (!p->half) {
        gap = nrxi_fft_gap_f32(n);
        memcpy(work, in, n * sizeof *in);
        memset(work + gap, 0, n * sizeof *in);
        r = nrxi_fft_split_run_f32(p, 1, work, work + 2 * gap, gap);
        nrxi_fft_merge_f32(h + 1, r, r + gap, out);
        out[1] = 0;
        return;
    }
    gap = nrxi_fft_gap_f32(h);
    nrxi_fft_split_f32(h, in, work, work + gap);
    r = nrxi_fft_split_run_f32(p->half, 1, work, work + 2 * gap, gap);
    out[0] = r[0] + r[gap];
    out[2 * h] = r[0] - r[gap];
    out[1] = out[2 * h + 1] = 0;
    for (k = 1; 2 * k <= h; k++) {
        float c = p->real[2 * k], s = p->real[2 * k + 1], half = (float)0.5;
        float er = half * (r[k] + r[h - k]), ei = half * (r[gap + k] - r[gap + h - k]);
        float or_ = half * (r[gap + k] + r[gap + h - k]), oi = half * (r[h - k] - r[k]);
        float tr = c * or_ + s * oi, ti = c * oi - s * or_;
        out[2 * k] = er + tr;
        out[2 * k + 1] = ei + ti;
        out[2 * (h - k)] = er - tr;
        out[2 * (h - k) + 1] = ti - ei;
    }
}

NRXI_FN void nrxi_irfft_run_f32(const nrxi_fft_f32 *p, const float *in, float *out, float *work)
{
    size_t n = p->n, h = n / 2, gap, k;
    float *r;
    if (!p->half) {
        gap = nrxi_fft_gap_f32(n);
        work[gap] = in[0];
        work[0] = 0;
        for (k = 1; k <= h; k++) { /* halves exchanged */
            work[gap + k] = work[gap + n - k] = in[2 * k];
            work[k] = in[2 * k + 1];
            work[n - k] = -in[2 * k + 1];
        }
        r = nrxi_fft_split_run_f32(p, 1, work, work + 2 * gap, gap);
        memcpy(out, r + gap, n * sizeof *out);
        return;
    }
    gap = nrxi_fft_gap_f32(h);
    work[gap] = in[0] + in[2 * h];
    work[0] = in[0] - in[2 * h];
    for (k = 1; 2 * k <= h; k++) {
        float c = p->real[2 * k], s = p->real[2 * k + 1];
        float er = in[2 * k] + in[2 * (h - k)], ei = in[2 * k + 1] - in[2 * (h - k) + 1];
        float tr = in[2 * k] - in[2 * (h - k)], ti = in[2 * k + 1] + in[2 * (h - k) + 1];
        float or_ = c * tr - s * ti, oi = c * ti + s * tr;
        work[gap + k] = er - oi;
        work[k] = ei + or_;
        work[gap + h - k] = er + oi;
        work[h - k] = or_ - ei;
    }
    r = nrxi_fft_split_run_f32(p->half, 1, work, work + 2 * gap, gap);
    nrxi_fft_merge_f32(h, r + gap, r, out);
}

/* ---- plans ---- */

NRXI_FN void nrxi_fft_drop_f32(nrxi_fft_f32 *p)
{
    nrx_env env = p->env;
    if (p->half) nrxi_fft_drop_f32(p->half);
    if (p->sub) nrxi_fft_drop_f32(p->sub);
    nrxi_free(&env, p->half);
    nrxi_free(&env, p->sub);
    nrxi_free(&env, p->table);
    nrxi_free(&env, p->chirp);
    nrxi_free(&env, p->real);
    memset(p, 0, sizeof *p);
    p->env = env;
}

/* Twiddles of a pass of radix r over m rows: real parts [k-1][row], then imaginary parts. */
NRXI_FN float *nrxi_fft_twiddles_f32(float *w, size_t r, size_t m)
{
    size_t k, row;
    nrxi_fft_wide c, s;
    for (k = 1; k < r; k++)
        for (row = 0; row < m; row++) {
            nrxi_fft_root(row * k, r * m, &c, &s);
            w[(k - 1) * m + row] = (float)c;
            w[(r + k - 2) * m + row] = (float)-s;
        }
    return w + 2 * (r - 1) * m;
}

/* Plan of a length whose primes are at most NRXI_FFT_PRIME; NRX_E_UNSUPPORTED for others. */
NRXI_FN nrx_status nrxi_fft_smooth_plan_f32(nrxi_fft_f32 *p, size_t n, const nrx_env *env)
{
    size_t left, total = 0, k;
    nrxi_fft_wide c, s;
    float *w;
    int i;
    memset(p, 0, sizeof *p);
    if (env) p->env = *env;
    p->n = n;
    p->eight = n % 8 == 0;
    left = p->eight ? n / 8 : n;
    p->passes = nrxi_fft_factor(left, p->radix);
    if (p->passes < 0) return NRX_E_UNSUPPORTED;
    if (p->eight) total = 14 * left;
    for (i = 0; i < p->passes; i++) {
        size_t r = p->radix[i];
        left /= r;
        total += 2 * (r - 1) * left + 2 * r;
    }
    w = p->table = (float *)nrxi_alloc(env, total + 1, sizeof *w);
    if (!w) return NRX_E_NOMEM;
    left = n;
    if (p->eight) w = nrxi_fft_twiddles_f32(w, 8, left /= 8);
    for (i = 0; i < p->passes; i++) w = nrxi_fft_twiddles_f32(w, p->radix[i], left /= p->radix[i]);
    p->root = w;
    for (i = 0; i < p->passes; i++) {
        size_t r = p->radix[i];
        if (r <= 5 || r == 8) continue;
        for (k = 0; k < r; k++) {
            nrxi_fft_root(k, r, &c, &s);
            w[k] = (float)c;
            w[r + k] = (float)s;
        }
        w += 2 * r;
    }
    return NRX_OK;
}

/* Chirp and transformed kernel of Bluestein's algorithm. */
NRXI_FN nrx_status nrxi_fft_chirp_plan_f32(nrxi_fft_f32 *p, const nrx_env *env)
{
    size_t n = p->n, m = nrxi_fft_good(2 * n - 1), gap = nrxi_fft_gap_f32(m), j, square = 0;
    float *co, *si, *kernel, *buffer, *r, scale = 1 / (float)m;
    nrx_status status;
    p->sub = (struct nrxi_fft_f32 *)nrxi_calloc(env, 1, sizeof *p);
    if (!p->sub) return NRX_E_NOMEM;
    status = nrxi_fft_smooth_plan_f32(p->sub, m, env);
    if (status != NRX_OK) return status;
    p->chirp = (float *)nrxi_alloc(env, 2 * n + 2 * m, sizeof *co);
    if (!p->chirp) return NRX_E_NOMEM;
    buffer = (float *)nrxi_calloc(env, 4 * gap, sizeof *buffer);
    if (!buffer) return NRX_E_NOMEM;
    co = p->chirp;
    si = co + n;
    kernel = si + n;
    for (j = 0; j < n; j++) { /* square = j^2 mod 2 n */
        nrxi_fft_wide c, s;
        nrxi_fft_root(square, 2 * n, &c, &s);
        co[j] = (float)c;
        si[j] = (float)s;
        buffer[j] = buffer[(m - j) % m] = co[j] * scale;
        buffer[gap + j] = buffer[gap + (m - j) % m] = si[j] * scale;
        square = (square + 2 * j + 1) % (2 * n);
    }
    r = nrxi_fft_smooth_f32(p->sub, 1, buffer, buffer + 2 * gap, gap);
    memcpy(kernel, r, m * sizeof *r);
    memcpy(kernel + m, r + gap, m * sizeof *r);
    nrxi_free(env, buffer);
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_fft_complex_plan_f32(nrxi_fft_f32 *p, size_t n, const nrx_env *env)
{
    nrx_status status = nrxi_fft_smooth_plan_f32(p, n, env);
    if (status == NRX_E_UNSUPPORTED) status = nrxi_fft_chirp_plan_f32(p, env);
    return status;
}

NRXI_FN nrx_status nrxi_fft_plan_f32(nrxi_fft_f32 *p, size_t n, const nrx_env *env)
{
    size_t k;
    nrxi_fft_wide c, s;
    nrx_status status;
    memset(p, 0, sizeof *p);
    if (n == 0) return nrxi_fail(env, NRX_E_ARG, "nrx fft: length 0");
    if (n > (size_t)-1 / 2048) return nrxi_fail(env, NRX_E_RANGE, "nrx fft: length %zu overflows", n);
    status = nrxi_fft_complex_plan_f32(p, n, env);
    if (status == NRX_OK && n % 2 == 0) {
        p->half = (struct nrxi_fft_f32 *)nrxi_calloc(env, 1, sizeof *p);
        p->real = (float *)nrxi_alloc(env, 2 * (n / 4 + 1), sizeof *p->real);
        status = p->half && p->real ? nrxi_fft_complex_plan_f32(p->half, n / 2, env) : NRX_E_NOMEM;
        for (k = 0; status == NRX_OK && k <= n / 4; k++) {
            nrxi_fft_root(k, n, &c, &s);
            p->real[2 * k] = (float)c;
            p->real[2 * k + 1] = (float)s;
        }
    }
    if (status == NRX_OK) return status;
    nrxi_fft_drop_f32(p);
    return nrxi_fail(env, status, "nrx fft: no memory for a plan of length %zu", n);
}
/* <<< twin */
#elif NRXI_FFT_VERSION != 3279848146
#error "nrx: headers with different versions of the fft block are mixed in one translation unit"
#endif
/* <<< nrx fft (implementation) */
/* >>> nrx linalg (implementation) */
#ifndef NRXI_LINALG_VERSION
#define NRXI_LINALG_VERSION 2784268824
/* Dense linear algebra in f64 on plain row-major arrays: element (i, j) of a is a[i*lda + j], lda >= columns.
   Right-hand sides b are rows x nrhs, contiguous. Needs the core block only. No function allocates or keeps
   state; `work` is at least the number of doubles given by nrxi_qr_work(m, n), nrxi_qr_pivot_work(m, n),
   nrxi_eigh_work(n), nrxi_svd_work(m, n), nrxi_lstsq_work(m, n, nrhs), nrxi_eig_work(n) ((size_t)-1 when that
   overflows) and overlaps nothing else. Any size may be 0. Status: NRX_OK, or NRX_E_NUMERIC for a NaN or
   infinity in the input, a singular (not positive definite) matrix, or an iteration that did not converge.
   All factorizations are backward stable in norm.

   nrxi_cholesky(n, a, lda)              A = L L^T; reads and overwrites the lower triangle only
   nrxi_cholesky_solve(n, l, lda, b, nrhs)            b = A^-1 b
   nrxi_lu(n, a, lda, piv)               P A = L U; row i was swapped with row piv[i] >= i, in order
   nrxi_lu_solve(n, lu, lda, piv, b, nrhs)            b = A^-1 b
   nrxi_trsolve(upper, trans, unit, n, a, lda, b, nrhs)   b = op(T)^-1 b, T the upper or lower triangle of a
   nrxi_qr(m, n, a, lda, tau, work)      A = Q R; R in the upper triangle, reflectors below it; tau: min(m, n)
   nrxi_qr_q(m, k, a, lda, tau, cols, q, ldq, work)   q = first cols columns of Q, k <= cols <= m; q is not a;
                                         here and in the next work is nrxi_qr_work(m, cols)
   nrxi_qr_apply(trans, m, k, a, lda, tau, c, ldc, cols, work)   C = Q C or Q^T C, C is m x cols
   nrxi_qr_pivot(m, n, a, lda, perm, tau, work)       A(:, perm) = Q R, |R_00| >= |R_11| >= ...; Q as above
   nrxi_eigh(n, a, lda, w, work)         symmetric A (lower triangle read) = V diag(w) V^T, w ascending,
                                         the columns of a become V
   nrxi_svd(m, n, a, lda, s, u, ldu, vt, ldvt, work)  A = U diag(s) V^T, k = min(m, n): u m x k, s k values
                                         descending, vt k x n; a is destroyed; u and vt NULL: values only
   nrxi_lstsq(m, n, a, lda, b, nrhs, rcond, rank, work)   minimum-norm x of min |A x - b|; b is max(m, n) x
                                         nrhs, its first m rows are read, its first n rows get x; diagonal
                                         entries of the pivoted R below rcond |R_00| count as zero (rcond < 0:
                                         eps max(m, n)); rank may be NULL; a is destroyed
   nrxi_eig(n, a, lda, w, v, ldv, work)  general real A: w = n complex eigenvalues (re, im), a conjugate pair
                                         adjacent, positive imaginary part first; v = n x n complex, entry
                                         (i, j) at v[2*(i*ldv + j)], its columns the unit eigenvectors, or NULL;
                                         a is destroyed (real Schur form). A defective matrix gives
                                         nearly parallel vectors, not an error.
   Sources: Golub and Van Loan, Matrix Computations, 4th ed., ch. 3-5, 7-8; Schreiber and Van Loan 1989
   (compact WY form of blocked reflectors). */

/* ---- kernels: scalar, vector, and AVX2 chosen at run time ---- */

/* Vector times scalar needs arithmetic without excess precision (gcc -m32 without SSE arithmetic promotes the
   scalar to long double). */
#if NRXI_VEC && (!defined(__FLT_EVAL_METHOD__) || __FLT_EVAL_METHOD__ == 0)
#define NRXI_LA_VEC 1
#define NRXI_LA_LD(p) (*(const nrxi_f64x4u *)(const void *)(p))
#define NRXI_LA_ST(p, v) (*(nrxi_f64x4u *)(void *)(p) = (v))
#define NRXI_LA_DOT                                                                                \
    nrxi_f64x4 s0 = { 0.0, 0.0, 0.0, 0.0 }, s1 = s0, s2 = s0, s3 = s0;                             \
    size_t i = 0;                                                                                  \
    double sum;                                                                                    \
    for (; i + 16 <= n; i += 16) {                                                                 \
        s0 += NRXI_LA_LD(x + i) * NRXI_LA_LD(y + i);                                               \
        s1 += NRXI_LA_LD(x + i + 4) * NRXI_LA_LD(y + i + 4);                                       \
        s2 += NRXI_LA_LD(x + i + 8) * NRXI_LA_LD(y + i + 8);                                       \
        s3 += NRXI_LA_LD(x + i + 12) * NRXI_LA_LD(y + i + 12);                                     \
    }                                                                                              \
    for (; i + 4 <= n; i += 4) s0 += NRXI_LA_LD(x + i) * NRXI_LA_LD(y + i);                        \
    s0 = (s0 + s1) + (s2 + s3);                                                                    \
    sum = (s0[0] + s0[1]) + (s0[2] + s0[3]);                                                       \
    for (; i < n; i++) sum += x[i] * y[i];                                                         \
    return sum;
#define NRXI_LA_AXPY                                                                               \
    size_t i = 0;                                                                                  \
    for (; i + 8 <= n; i += 8) {                                                                   \
        nrxi_f64x4 u = NRXI_LA_LD(y + i) + NRXI_LA_LD(x + i) * alpha;                              \
        nrxi_f64x4 v = NRXI_LA_LD(y + i + 4) + NRXI_LA_LD(x + i + 4) * alpha;                      \
        NRXI_LA_ST(y + i, u);                                                                      \
        NRXI_LA_ST(y + i + 4, v);                                                                  \
    }                                                                                              \
    for (; i < n; i++) y[i] += alpha * x[i];
/* Rotations k = 0 .. count-1 of rows k, k+1 of q, in panels of 16 columns with the lower row kept in
   registers. */
#define NRXI_LA_ROTATIONS                                                                          \
    size_t j = 0, k;                                                                               \
    for (; j + 16 <= len; j += 16) {                                                               \
        double *p = q + j;                                                                         \
        nrxi_f64x4 a0 = NRXI_LA_LD(p), a1 = NRXI_LA_LD(p + 4);                                     \
        nrxi_f64x4 a2 = NRXI_LA_LD(p + 8), a3 = NRXI_LA_LD(p + 12);                                \
        for (k = 0; k < count; k++, p += ldq) {                                                    \
            double c = cs[2 * k], s = cs[2 * k + 1];                                               \
            nrxi_f64x4 b0 = NRXI_LA_LD(p + ldq), b1 = NRXI_LA_LD(p + ldq + 4);                     \
            nrxi_f64x4 b2 = NRXI_LA_LD(p + ldq + 8), b3 = NRXI_LA_LD(p + ldq + 12);                \
            NRXI_LA_ST(p, a0 * c + b0 * s);                                                        \
            NRXI_LA_ST(p + 4, a1 * c + b1 * s);                                                    \
            NRXI_LA_ST(p + 8, a2 * c + b2 * s);                                                    \
            NRXI_LA_ST(p + 12, a3 * c + b3 * s);                                                   \
            a0 = b0 * c - a0 * s; a1 = b1 * c - a1 * s; a2 = b2 * c - a2 * s; a3 = b3 * c - a3 * s; \
        }                                                                                          \
        NRXI_LA_ST(p, a0); NRXI_LA_ST(p + 4, a1); NRXI_LA_ST(p + 8, a2); NRXI_LA_ST(p + 12, a3);   \
    }                                                                                              \
    return j;
/* t (4 x 8) = sum over l < k of a(i, l) b(l, j): rows of a at a[0..3] with step acs, b packed by eights. */
#define NRXI_LA_TILE                                                                               \
    nrxi_f64x4 c00 = { 0.0, 0.0, 0.0, 0.0 }, c01 = c00, c10 = c00, c11 = c00;                      \
    nrxi_f64x4 c20 = c00, c21 = c00, c30 = c00, c31 = c00;                                         \
    const double *a0 = a[0], *a1 = a[1], *a2 = a[2], *a3 = a[3];                                   \
    size_t l;                                                                                      \
    for (l = 0; l < k; l++, b += 8) {                                                              \
        nrxi_f64x4 b0 = NRXI_LA_LD(b), b1 = NRXI_LA_LD(b + 4);                                     \
        size_t at = l * acs;                                                                       \
        c00 += b0 * a0[at]; c01 += b1 * a0[at]; c10 += b0 * a1[at]; c11 += b1 * a1[at];            \
        c20 += b0 * a2[at]; c21 += b1 * a2[at]; c30 += b0 * a3[at]; c31 += b1 * a3[at];            \
    }                                                                                              \
    NRXI_LA_ST(t, c00); NRXI_LA_ST(t + 4, c01); NRXI_LA_ST(t + 8, c10); NRXI_LA_ST(t + 12, c11);   \
    NRXI_LA_ST(t + 16, c20); NRXI_LA_ST(t + 20, c21); NRXI_LA_ST(t + 24, c30); NRXI_LA_ST(t + 28, c31);

NRXI_FN double nrxi_la_dot_vec(size_t n, const double *x, const double *y){ NRXI_LA_DOT } NRXI_FN
    void nrxi_la_axpy_vec(size_t n, double alpha, const double *NRX_RESTRICT x,
                          double *NRX_RESTRICT y){ NRXI_LA_AXPY } NRXI_FN size_t
    nrxi_la_rotations_vec(size_t count, const double *cs, double *q, size_t ldq,
                          size_t len){ NRXI_LA_ROTATIONS } NRXI_FN
    void nrxi_la_tile_vec(size_t k, const double *const *a, size_t acs, const double *b,
                          double *t){ NRXI_LA_TILE }
#if NRXI_X86
NRXI_AVX2 NRXI_FN
    double nrxi_la_dot_avx2(size_t n, const double *x, const double *y){ NRXI_LA_DOT } NRXI_AVX2 NRXI_FN
    void nrxi_la_axpy_avx2(size_t n, double alpha, const double *NRX_RESTRICT x,
                           double *NRX_RESTRICT y){ NRXI_LA_AXPY } NRXI_AVX2 NRXI_FN size_t
    nrxi_la_rotations_avx2(size_t count, const double *cs, double *q, size_t ldq,
                           size_t len){ NRXI_LA_ROTATIONS } NRXI_AVX2 NRXI_FN
    void nrxi_la_tile_avx2(size_t k, const double *const *a, size_t acs, const double *b,
                           double *t){ NRXI_LA_TILE }
#define NRXI_LA_WIDE(n) ((n) >= 8 && nrxi_cpu_avx2())
#endif
#endif

NRXI_FN size_t nrxi_la_min(size_t a, size_t b) { return a < b ? a : b; }

NRXI_FN double nrxi_la_dot(size_t n, const double *x, const double *y)
{
    double s[4] = { 0.0, 0.0, 0.0, 0.0 };
    size_t i = 0;
#if NRXI_LA_VEC
#if NRXI_X86
    if (NRXI_LA_WIDE(n)) return nrxi_la_dot_avx2(n, x, y);
#endif
    if (n >= 8) return nrxi_la_dot_vec(n, x, y);
#endif
    for (; i + 4 <= n; i += 4) {
        s[0] += x[i] * y[i];
        s[1] += x[i + 1] * y[i + 1];
        s[2] += x[i + 2] * y[i + 2];
        s[3] += x[i + 3] * y[i + 3];
    }
    for (; i < n; i++) s[0] += x[i] * y[i];
    return (s[0] + s[1]) + (s[2] + s[3]);
}

/* y += alpha x */
NRXI_FN void nrxi_la_axpy(size_t n, double alpha, const double *NRX_RESTRICT x, double *NRX_RESTRICT y)
{
    size_t i;
#if NRXI_LA_VEC
#if NRXI_X86
    if (NRXI_LA_WIDE(n)) { nrxi_la_axpy_avx2(n, alpha, x, y); return; }
#endif
    if (n >= 8) { nrxi_la_axpy_vec(n, alpha, x, y); return; }
#endif
    for (i = 0; i < n; i++) y[i] += alpha * x[i];
}

/* Rows x, y <- c x + s y, c y - s x. */
NRXI_FN void nrxi_la_rotate(size_t n, double c, double s, double *NRX_RESTRICT x, double *NRX_RESTRICT y)
{
    size_t i;
    for (i = 0; i < n; i++) {
        double a = x[i], b = y[i];
        x[i] = c * a + s * b;
        y[i] = c * b - s * a;
    }
}

/* One sweep of rotations: for k = 0 .. count-1 rows k, k+1 of q (length len) with (c, s) = cs[2 k], cs[2 k +
   1]. */
NRXI_FN void nrxi_la_rotations(size_t count, const double *cs, double *q, size_t ldq, size_t len)
{
    size_t k, j = 0;
#if NRXI_LA_VEC
#if NRXI_X86
    if (NRXI_LA_WIDE(len)) j = nrxi_la_rotations_avx2(count, cs, q, ldq, len);
    else
#endif
    j = nrxi_la_rotations_vec(count, cs, q, ldq, len);
#endif
    for (k = 0; j < len && k < count; k++)
        nrxi_la_rotate(len - j, cs[2 * k], cs[2 * k + 1], q + k * ldq + j, q + (k + 1) * ldq + j);
}

/* C (m x n) += sign A B: a(i, l) at a[i*ars + l*acs], b(l, j) at b[l*brs + j*bcs]. */
NRXI_FN void nrxi_la_gemm(size_t m, size_t n, size_t k, double sign, const double *a, size_t ars, size_t acs,
                          const double *b, size_t brs, size_t bcs, double *c, size_t ldc)
{
    double pack[8 * 256], t[32];
    const double *rows[4];
    size_t l0, j0, i0, l, i, j;
    for (l0 = 0; l0 < k; l0 += 256) {
        size_t kb = nrxi_la_min(k - l0, 256);
        for (j0 = 0; j0 < n; j0 += 8) {
            size_t nb = nrxi_la_min(n - j0, 8);
            for (l = 0; l < kb; l++)
                for (j = 0; j < 8; j++) pack[8 * l + j] = j < nb ? b[(l0 + l) * brs + (j0 + j) * bcs] : 0.0;
            for (i0 = 0; i0 < m; i0 += 4) {
                size_t mb = nrxi_la_min(m - i0, 4);
                for (i = 0; i < 4; i++) rows[i] = a + (i0 + (i < mb ? i : 0)) * ars + l0 * acs;
#if NRXI_LA_VEC
#if NRXI_X86
                if (nrxi_cpu_avx2()) nrxi_la_tile_avx2(kb, rows, acs, pack, t);
                else
#endif
                nrxi_la_tile_vec(kb, rows, acs, pack, t);
#else
                for (i = 0; i < 4; i++) {
                    double *ti = t + 8 * i;
                    for (j = 0; j < 8; j++) ti[j] = 0.0;
                    for (l = 0; l < kb; l++)
                        for (j = 0; j < 8; j++) ti[j] += rows[i][l * acs] * pack[8 * l + j];
                }
#endif
                for (i = 0; i < mb; i++)
                    for (j = 0; j < nb; j++) c[(i0 + i) * ldc + j0 + j] += sign * t[8 * i + j];
            }
        }
    }
}

NRXI_FN int nrxi_la_finite(size_t m, size_t n, const double *a, size_t lda)
{
    size_t i;
    for (i = 0; i < m; i++)
        if (!nrxi_all_finite(a + i * lda, n, NRX_F64)) return 0;
    return 1;
}

NRXI_FN double nrxi_la_max(size_t n, const double *x, size_t inc)
{
    double big = 0.0;
    size_t i;
    for (i = 0; i < n; i++) {
        double v = fabs(x[i * inc]);
        if (v > big) big = v;
    }
    return big;
}

/* Power of two that brings a positive v into [1/2, 1); kept within 2^+-1000 so that it and its inverse are
   finite. */
NRXI_FN double nrxi_la_scale(double v)
{
    int e;
    if (!(v > 0.0)) return 1.0;
    (void)frexp(v, &e);
    return ldexp(1.0, e > 1000 ? -1000 : e < -1000 ? 1000 : -e);
}

/* Euclidean norm without overflow or harmful underflow on the way. */
NRXI_FN double nrxi_la_norm(size_t n, const double *x, size_t inc)
{
    double big = nrxi_la_max(n, x, inc), f = nrxi_la_scale(big), sum[4] = { 0.0, 0.0, 0.0, 0.0 };
    size_t i;
    if (big > 1e-140 && big < 1e140) f = 1.0;
    for (i = 0; i < n; i++) {
        double v = x[i * inc] * f;
        sum[i & 3] += v * v;
    }
    return sqrt((sum[0] + sum[1]) + (sum[2] + sum[3])) / f;
}

/* Householder: from x (n entries) makes v (v[0] = 1 understood) and tau with (I - tau v v^T) x = beta e_0.
   x[0] <- beta, the rest <- v. Tiny vectors are scaled up first: subnormal numbers have too few digits for an
   orthogonal reflector. */
NRXI_FN double nrxi_la_reflector(size_t n, double *x, size_t inc)
{
    double norm, beta, denom, tau, back = 1.0;
    size_t i;
    if (n < 2 || nrxi_la_max(n - 1, x + inc, inc) == 0.0) return 0.0;
    norm = nrxi_la_norm(n, x, inc);
    if (norm < 1e-280) {
        for (i = 0; i < n; i++) x[i * inc] *= 4.149515568880993e180;
        back = 2.409919865102884e-181;
        norm = nrxi_la_norm(n, x, inc);
    }
    beta = x[0] > 0.0 ? -norm : norm;
    denom = x[0] - beta;
    tau = -denom / beta;
    x[0] = beta * back;
    for (i = 1; i < n; i++) x[i * inc] /= denom;
    return tau;
}

/* Rotation with c x + s z = r, c z - s x = 0; returns r. */
NRXI_FN double nrxi_la_givens(double x, double z, double *c, double *s)
{
    double r, back = 1.0;
    if (z == 0.0) { *c = 1.0; *s = 0.0; return x; }
    r = sqrt(x * x + z * z);
    if (!(r > 1e-140 && r < 1e140)) {
        if (fabs(x) + fabs(z) < 1e-140) {
            x *= 4.149515568880993e180;
            z *= 4.149515568880993e180;
            back = 2.409919865102884e-181;
        }
        r = hypot(x, z);
    }
    *c = x / r;
    *s = z / r;
    return r * back;
}

NRXI_FN void nrxi_la_transpose(size_t m, size_t n, const double *a, size_t lda, double *t, size_t ldt)
{
    size_t i, j, i0, j0;
    for (i0 = 0; i0 < m; i0 += 16)
        for (j0 = 0; j0 < n; j0 += 16)
            for (i = i0; i < m && i < i0 + 16; i++)
                for (j = j0; j < n && j < j0 + 16; j++) t[j * ldt + i] = a[i * lda + j];
}

NRXI_FN void nrxi_la_swap(size_t n, double *x, size_t incx, double *y, size_t incy)
{
    size_t i;
    for (i = 0; i < n; i++) {
        double t = x[i * incx];
        x[i * incx] = y[i * incy];
        y[i * incy] = t;
    }
}

/* a*b*8 + c within size_t, for the work queries; (size_t)-1 otherwise. */
NRXI_FN size_t nrxi_la_count(size_t a, size_t b, size_t c)
{
    size_t ab, sum, bytes;
    if (!nrxi_mul_ok(a, b, &ab) || !nrxi_add_ok(ab, c, &sum) || !nrxi_mul_ok(sum, sizeof(double), &bytes))
        return (size_t)-1;
    return sum;
}

/* ---- triangular solves, Cholesky, LU ---- */

NRXI_FN nrx_status nrxi_trsolve(int upper, int trans, int unit, size_t n, const double *a, size_t lda,
                                double *b, size_t nrhs)
{
    int forward = upper ? !!trans : !trans; /* which row comes first */
    size_t step, i, j;
    if (!unit)
        for (i = 0; i < n; i++)
            if (a[i * lda + i] == 0.0 || !nrxi_finite_f64(a + i * lda + i)) return NRX_E_NUMERIC;
    for (step = 0; step < n; step++) {
        double *bi;
        i = forward ? step : n - 1 - step;
        bi = b + i * nrhs;
        if (!trans) {
            size_t from = upper ? i + 1 : 0, to = upper ? n : i;
            if (nrhs == 1) bi[0] -= nrxi_la_dot(to - from, a + i * lda + from, b + from);
            else for (j = from; j < to; j++) nrxi_la_axpy(nrhs, -a[i * lda + j], b + j * nrhs, bi);
        }
        if (!unit) {
            double pivot = a[i * lda + i];
            for (j = 0; j < nrhs; j++) bi[j] /= pivot;
        }
        if (trans) {
            size_t from = upper ? i + 1 : 0, to = upper ? n : i;
            if (nrhs == 1) nrxi_la_axpy(to - from, -bi[0], a + i * lda + from, b + from);
            else for (j = from; j < to; j++) nrxi_la_axpy(nrhs, -a[i * lda + j], bi, b + j * nrhs);
        }
    }
    return NRX_OK;
}

/* Columns that are factored before the rest is updated by products of matrices. */
#define NRXI_LA_BLOCK ((size_t)32)

NRXI_FN nrx_status nrxi_cholesky(size_t n, double *a, size_t lda)
{
    size_t i, j, k, r;
    for (k = 0; k < n; k += NRXI_LA_BLOCK) {
        size_t end = k + nrxi_la_min(n - k, NRXI_LA_BLOCK);
        for (i = k; i < n; i++) { /* columns k .. end of L */
            double *ai = a + i * lda, pivot;
            for (j = k; j < end && j < i; j++)
                ai[j] = (ai[j] - nrxi_la_dot(j - k, ai + k, a + j * lda + k)) / a[j * lda + j];
            if (i >= end) continue;
            pivot = ai[i] - nrxi_la_dot(i - k, ai + k, ai + k);
            if (!(pivot > 0.0) || !nrxi_finite_f64(&pivot)) return NRX_E_NUMERIC;
            ai[i] = sqrt(pivot);
        }
        for (r = end; r < n; r += NRXI_LA_BLOCK) { /* the rest of the lower triangle, by blocks of rows */
            size_t rows = nrxi_la_min(n - r, NRXI_LA_BLOCK);
            nrxi_la_gemm(rows, r - end, end - k, -1.0, a + r * lda + k, lda, 1, a + end * lda + k, 1, lda,
                         a + r * lda + end, lda);
            for (i = r; i < r + rows; i++)
                for (j = r; j <= i; j++)
                    a[i * lda + j] -= nrxi_la_dot(end - k, a + i * lda + k, a + j * lda + k);
        }
    }
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_cholesky_solve(size_t n, const double *l, size_t lda, double *b, size_t nrhs)
{
    nrx_status status = nrxi_trsolve(0, 0, 0, n, l, lda, b, nrhs);
    return status == NRX_OK ? nrxi_trsolve(0, 1, 0, n, l, lda, b, nrhs) : status;
}

NRXI_FN nrx_status nrxi_lu(size_t n, double *a, size_t lda, size_t *piv)
{
    size_t i, j, k, end;
    int singular = 0;
    if (!nrxi_la_finite(n, n, a, lda)) return NRX_E_NUMERIC;
    for (k = 0; k < n; k = end) {
        end = k + nrxi_la_min(n - k, NRXI_LA_BLOCK);
        for (j = k; j < end; j++) {
            double *aj = a + j * lda, pivot;
            size_t best = j;
            for (i = j + 1; i < n; i++)
                if (fabs(a[i * lda + j]) > fabs(a[best * lda + j])) best = i;
            piv[j] = best;
            if (best != j) nrxi_la_swap(n, aj, 1, a + best * lda, 1);
            pivot = aj[j];
            if (pivot == 0.0) { singular = 1; continue; }
            for (i = j + 1; i < n; i++) {
                double *ai = a + i * lda, f = ai[j] / pivot;
                size_t l;
                ai[j] = f;
                for (l = j + 1; l < end; l++) ai[l] -= f * aj[l];
            }
        }
        for (i = k + 1; i < end; i++) /* rows of U right of the block */
            for (j = k; j < i; j++)
                nrxi_la_axpy(n - end, -a[i * lda + j], a + j * lda + end, a + i * lda + end);
        nrxi_la_gemm(n - end, n - end, end - k, -1.0, a + end * lda + k, lda, 1, a + k * lda + end, lda, 1,
                     a + end * lda + end, lda);
    }
    for (j = 0; j < n; j++)
        if (!nrxi_finite_f64(a + j * lda + j)) singular = 1;
    return singular ? NRX_E_NUMERIC : NRX_OK;
}

NRXI_FN nrx_status nrxi_lu_solve(size_t n, const double *lu, size_t lda, const size_t *piv, double *b,
                                 size_t nrhs)
{
    size_t i;
    nrx_status status;
    for (i = 0; i < n; i++)
        if (piv[i] != i) nrxi_la_swap(nrhs, b + i * nrhs, 1, b + piv[i] * nrhs, 1);
    status = nrxi_trsolve(0, 0, 1, n, lu, lda, b, nrhs);
    return status == NRX_OK ? nrxi_trsolve(1, 0, 0, n, lu, lda, b, nrhs) : status;
}

/* ---- QR ---- */

/* C (m x cols) -= tau v (v^T C) with v[0] = 1 and v strided; w: cols doubles. */
NRXI_FN void nrxi_la_reflect_left(size_t m, size_t cols, const double *v, size_t inc, double tau, double *c,
                                  size_t ldc, double *w)
{
    size_t i;
    if (tau == 0.0 || cols == 0) return;
    memcpy(w, c, cols * sizeof *w);
    for (i = 1; i < m; i++) nrxi_la_axpy(cols, v[i * inc], c + i * ldc, w);
    nrxi_la_axpy(cols, -tau, w, c);
    for (i = 1; i < m; i++) nrxi_la_axpy(cols, -tau * v[i * inc], w, c + i * ldc);
}

NRXI_FN size_t nrxi_qr_work(size_t m, size_t n)
{
    size_t both;
    if (!nrxi_add_ok(m, n, &both) || !nrxi_add_ok(both, NRXI_LA_BLOCK + 32, &both)) return (size_t)-1;
    return nrxi_la_count(both, NRXI_LA_BLOCK, 0);
}

/* The workspace of a block of reflectors: v = V^T (BLOCK x ldv, rows are reflectors with their zeros and
   ones), t = T, w. */
typedef struct nrxi_la_wy { double *v, *t, *w; size_t ldv; } nrxi_la_wy;

NRXI_FN nrxi_la_wy nrxi_la_wy_at(size_t m, double *work)
{
    nrxi_la_wy b;
    b.ldv = ((m + 7) & ~(size_t)7) + 8; /* not a multiple of the page size */
    b.v = work;
    b.t = b.v + NRXI_LA_BLOCK * b.ldv;
    b.w = b.t + NRXI_LA_BLOCK * NRXI_LA_BLOCK;
    return b;
}

/* Upper triangular T with H_0 H_1 ... H_kb-1 = I - V T V^T (Schreiber and Van Loan 1989). */
NRXI_FN void nrxi_la_wy_factor(nrxi_la_wy b, size_t m, size_t kb, const double *tau)
{
    size_t i, j, l;
    for (j = 0; j < kb; j++) {
        for (i = 0; i < j; i++)
            b.w[i] = -tau[j] * nrxi_la_dot(m - j, b.v + i * b.ldv + j, b.v + j * b.ldv + j);
        for (i = 0; i < j; i++) {
            double s = 0.0;
            for (l = i; l < j; l++) s += b.t[i * NRXI_LA_BLOCK + l] * b.w[l];
            b.t[i * NRXI_LA_BLOCK + j] = s;
        }
        b.t[j * NRXI_LA_BLOCK + j] = tau[j];
    }
}

/* C (m x cols) <- (I - V T V^T) C, or with T^T when trans. */
NRXI_FN void nrxi_la_wy_apply(nrxi_la_wy b, int trans, size_t m, size_t kb, double *c, size_t ldc,
                              size_t cols)
{
    size_t step, i, l;
    memset(b.w, 0, kb * cols * sizeof *b.w);
    nrxi_la_gemm(kb, cols, m, 1.0, b.v, b.ldv, 1, c, ldc, 1, b.w, cols);
    /* w <- T w downwards, or T^T w upwards: each row is read before it is replaced */
    for (step = 0; step < kb; step++) {
        double *wi;
        i = trans ? kb - 1 - step : step;
        wi = b.w + i * cols;
        for (l = 0; l < cols; l++) wi[l] *= b.t[i * NRXI_LA_BLOCK + i];
        if (trans) for (l = 0; l < i; l++) nrxi_la_axpy(cols, b.t[l * NRXI_LA_BLOCK + i], b.w + l * cols, wi);
        else for (l = i + 1; l < kb; l++) nrxi_la_axpy(cols, b.t[i * NRXI_LA_BLOCK + l], b.w + l * cols, wi);
    }
    nrxi_la_gemm(m, cols, kb, -1.0, b.v, 1, b.ldv, b.w, cols, 1, c, ldc);
}

/* V^T and T of reflectors k .. k+kb-1 stored below the diagonal of a. */
NRXI_FN void nrxi_la_wy_load(nrxi_la_wy b, size_t m, size_t k, size_t kb, const double *a, size_t lda,
                             const double *tau)
{
    size_t i;
    nrxi_la_transpose(m - k, kb, a + k * lda + k, lda, b.v, b.ldv);
    for (i = 0; i < kb; i++) {
        memset(b.v + i * b.ldv, 0, i * sizeof *b.v);
        b.v[i * b.ldv + i] = 1.0;
    }
    nrxi_la_wy_factor(b, m - k, kb, tau + k);
}

NRXI_FN nrx_status nrxi_qr(size_t m, size_t n, double *a, size_t lda, double *tau, double *work)
{
    nrxi_la_wy b = nrxi_la_wy_at(m, work);
    size_t i, j, k, kb, all = nrxi_la_min(m, n);
    if (!nrxi_la_finite(m, n, a, lda)) return NRX_E_NUMERIC;
    for (k = 0; k < all; k += kb) {
        kb = nrxi_la_min(all - k, NRXI_LA_BLOCK);
        nrxi_la_transpose(m - k, kb, a + k * lda + k, lda, b.v, b.ldv); /* columns become contiguous */
        for (j = 0; j < kb; j++) {
            double *v = b.v + j * b.ldv + j, beta;
            tau[k + j] = nrxi_la_reflector(m - k - j, v, 1);
            beta = v[0];
            v[0] = 1.0;
            for (i = j + 1; i < kb; i++) {
                double *x = b.v + i * b.ldv + j;
                nrxi_la_axpy(m - k - j, -tau[k + j] * nrxi_la_dot(m - k - j, v, x), v, x);
            }
            v[0] = beta;
        }
        nrxi_la_transpose(kb, m - k, b.v, b.ldv, a + k * lda + k, lda);
        if (k + kb >= n) break;
        nrxi_la_wy_load(b, m, k, kb, a, lda, tau);
        nrxi_la_wy_apply(b, 1, m - k, kb, a + k * lda + k + kb, lda, n - k - kb);
    }
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_qr_apply(int trans, size_t m, size_t k, const double *a, size_t lda,
                                 const double *tau, double *c, size_t ldc, size_t cols, double *work)
{
    nrxi_la_wy b = nrxi_la_wy_at(m, work);
    size_t step, blocks = (k + NRXI_LA_BLOCK - 1) / NRXI_LA_BLOCK;
    for (step = 0; step < blocks; step++) {
        size_t j = (trans ? step : blocks - 1 - step) * NRXI_LA_BLOCK, kb = nrxi_la_min(k - j, NRXI_LA_BLOCK);
        nrxi_la_wy_load(b, m, j, kb, a, lda, tau);
        nrxi_la_wy_apply(b, trans, m - j, kb, c + j * ldc, ldc, cols);
    }
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_qr_q(size_t m, size_t k, const double *a, size_t lda, const double *tau, size_t cols,
                             double *q, size_t ldq, double *work)
{
    nrxi_la_wy b = nrxi_la_wy_at(m, work);
    size_t i, step, blocks = (k + NRXI_LA_BLOCK - 1) / NRXI_LA_BLOCK;
    for (i = 0; i < m; i++) {
        if (cols) memset(q + i * ldq, 0, cols * sizeof *q);
        if (i < cols) q[i * ldq + i] = 1.0;
    }
    for (step = blocks; step-- > 0;) { /* columns before j are still those of the identity below row j */
        size_t j = step * NRXI_LA_BLOCK, kb = nrxi_la_min(k - j, NRXI_LA_BLOCK);
        nrxi_la_wy_load(b, m, j, kb, a, lda, tau);
        nrxi_la_wy_apply(b, 0, m - j, kb, q + j * ldq + j, ldq, cols - j);
    }
    return NRX_OK;
}

NRXI_FN size_t nrxi_qr_pivot_work(size_t m, size_t n) { return nrxi_la_count(n, 3, m); }

NRXI_FN nrx_status nrxi_qr_pivot(size_t m, size_t n, double *a, size_t lda, size_t *perm, double *tau,
                                 double *work)
{
    double *w = work, *norm = work + n, *exact = work + 2 * n;
    size_t i, j, k = nrxi_la_min(m, n);
    if (!nrxi_la_finite(m, n, a, lda)) return NRX_E_NUMERIC;
    for (j = 0; j < n; j++) {
        perm[j] = j;
        norm[j] = exact[j] = nrxi_la_norm(m, a + j, lda);
    }
    for (j = 0; j < k; j++) {
        size_t best = j, p;
        for (i = j + 1; i < n; i++)
            if (norm[i] > norm[best]) best = i;
        if (best != j) {
            nrxi_la_swap(m, a + j, lda, a + best, lda);
            p = perm[j]; perm[j] = perm[best]; perm[best] = p;
            norm[best] = norm[j];
            exact[best] = exact[j];
        }
        tau[j] = nrxi_la_reflector(m - j, a + j * lda + j, lda);
        nrxi_la_reflect_left(m - j, n - j - 1, a + j * lda + j, lda, tau[j], a + j * lda + j + 1, lda, w);
        /* downdate; recompute when cancellation has eaten half the digits (Drmac and Bujanovic 2008) */
        for (i = j + 1; i < n; i++) {
            double r, left, ratio;
            if (norm[i] == 0.0) continue;
            r = fabs(a[j * lda + i]) / norm[i];
            left = r < 1.0 ? (1.0 - r) * (1.0 + r) : 0.0;
            ratio = norm[i] / exact[i];
            if (left * ratio * ratio <= 1.5e-8)
                norm[i] = exact[i] = nrxi_la_norm(m - j - 1, a + (j + 1) * lda + i, lda);
            else norm[i] *= sqrt(left);
        }
    }
    return NRX_OK;
}

NRXI_FN size_t nrxi_lstsq_work(size_t m, size_t n, size_t nrhs)
{
    size_t k = nrxi_la_min(m, n), big = m > n ? m : n, w = nrxi_qr_work(big, nrhs > big ? nrhs : big),
           p = nrxi_qr_pivot_work(big, big), sum;
    if (w == (size_t)-1 || p == (size_t)-1 || !nrxi_add_ok(w, p, &sum) || !nrxi_add_ok(sum, 3 * big, &sum))
        return (size_t)-1;
    return nrxi_la_count(n, k, sum);
}

NRXI_FN nrx_status nrxi_lstsq(size_t m, size_t n, double *a, size_t lda, double *b, size_t nrhs, double rcond,
                              size_t *rank, double *work)
{
    size_t k = nrxi_la_min(m, n), big = m > n ? m : n, r = 0, i, j;
    double *tau = work, *tau2 = tau + k, *z = tau2 + k, *w = z + n * k + n;
    double *x = b;
    size_t *perm = (size_t *)(void *)(z + n * k); /* size_t is no wider than double */
    nrx_status status;
    if (rank) *rank = 0;
    if (rcond < 0.0) rcond = 2.220446049250313e-16 * (double)big;
    if (!nrxi_la_finite(m, nrhs, b, nrhs)) return NRX_E_NUMERIC;
    status = nrxi_qr_pivot(m, n, a, lda, perm, tau, w);
    if (status != NRX_OK) return status;
    while (r < k && fabs(a[r * lda + r]) > rcond * fabs(a[0])) r++;
    if (rank) *rank = r;
    (void)nrxi_qr_apply(1, m, k, a, lda, tau, b, nrhs, nrhs, w);
    /* R(0:r, :) = S^T Z^T with Z S the QR of its transpose: x = Z S^-T c has minimum norm */
    if (r < n && r > 0) {
        for (j = 0; j < n; j++)
            for (i = 0; i < r; i++) z[j * r + i] = i <= j ? a[i * lda + j] : 0.0;
        status = nrxi_qr(n, r, z, r, tau2, w);
        if (status == NRX_OK) status = nrxi_trsolve(1, 1, 0, r, z, r, x, nrhs);
    } else if (r == n) {
        status = nrxi_trsolve(1, 0, 0, n, a, lda, x, nrhs);
    }
    if (status != NRX_OK) return status;
    for (i = r; i < n; i++) memset(x + i * nrhs, 0, nrhs * sizeof *x);
    if (r < n && r > 0) (void)nrxi_qr_apply(0, n, r, z, r, tau2, x, nrhs, nrhs, w);
    for (i = 0; i < n; i++) /* undo the permutation in place, cycle by cycle */
        while (perm[i] != i) {
            size_t p = perm[i];
            nrxi_la_swap(nrhs, x + i * nrhs, 1, x + p * nrhs, 1);
            perm[i] = perm[p];
            perm[p] = p;
        }
    return NRX_OK;
}

/* ---- symmetric eigenproblem: Householder tridiagonalization, implicit QR with Wilkinson shifts ---- */

NRXI_FN size_t nrxi_eigh_work(size_t n)
{
    return nrxi_la_count(n, n, n <= (size_t)-1 / 64 ? 4 * n : (size_t)-1);
}

/* Q^T (rows x n) <- Q^T (I - tau v v^T), row by row. */
NRXI_FN void nrxi_la_reflect_right(size_t rows, size_t n, const double *v, double tau, double *q, size_t ldq)
{
    size_t i;
    if (tau == 0.0) return;
    for (i = 0; i < rows; i++) nrxi_la_axpy(n, -tau * nrxi_la_dot(n, q + i * ldq, v), v, q + i * ldq);
}

/* A (full, symmetric) -> diagonal d, off-diagonal e; reflector k stays in row k right of the diagonal, with
   its leading 1. tau: n. */
NRXI_FN void nrxi_la_tridiagonal(size_t n, double *a, size_t lda, double *d, double *e, double *tau,
                                 double *p)
{
    size_t i, k;
    for (k = 0; k + 1 < n; k++) {
        size_t m = n - k - 1;
        double *v = a + k * lda + k + 1, t, half;
        tau[k] = t = nrxi_la_reflector(m, v, 1);
        d[k] = a[k * lda + k];
        e[k] = v[0];
        v[0] = 1.0;
        if (t == 0.0) continue;
        for (i = 0; i < m; i++) p[i] = t * nrxi_la_dot(m, a + (k + 1 + i) * lda + k + 1, v);
        half = 0.5 * t * nrxi_la_dot(m, p, v);
        nrxi_la_axpy(m, -half, v, p);
        for (i = 0; i < m; i++) {
            double *row = a + (k + 1 + i) * lda + k + 1;
            nrxi_la_axpy(m, -v[i], p, row);
            nrxi_la_axpy(m, -p[i], v, row);
        }
    }
    if (n) d[n - 1] = a[(n - 1) * lda + n - 1];
}

/* Eigenvalues of the tridiagonal (d, e) into d, unsorted; the rotations go to the rows of q (n rows of length
   len). cs: 2 n. */
NRXI_FN nrx_status nrxi_la_tridiagonal_qr(size_t n, double *d, double *e, double *q, size_t ldq, size_t len,
                                          double *cs)
{
    size_t hi = n ? n - 1 : 0, lo, k, left = 60 * n + 60;
    while (hi > 0) {
        double delta, b2, mu, x, z;
        for (lo = hi; lo > 0; lo--) {
            double off = fabs(e[lo - 1]);
            if (off <= 1.1e-16 * (fabs(d[lo]) + fabs(d[lo - 1])) || off < 1e-290) { e[lo - 1] = 0.0; break; }
        }
        if (lo == hi) { hi--; continue; }
        if (left-- == 0) return NRX_E_NUMERIC;
        delta = 0.5 * (d[hi - 1] - d[hi]);
        b2 = e[hi - 1];
        mu = d[hi] - b2 / (delta + (delta > 0.0 ? 1.0 : -1.0) * hypot(delta, b2)) * b2;
        x = d[lo] - mu;
        z = e[lo];
        for (k = lo; k < hi; k++) {
            double c, s, r = nrxi_la_givens(x, z, &c, &s), g = d[k + 1] - d[k], h;
            if (k > lo) e[k - 1] = r;
            h = s * (s * g + 2.0 * c * e[k]);
            e[k] = c * (s * g) + (c - s) * (c + s) * e[k];
            d[k] += h;
            d[k + 1] -= h;
            x = e[k];
            if (k + 1 < hi) {
                z = s * e[k + 1];
                e[k + 1] *= c;
            }
            cs[2 * (k - lo)] = c;
            cs[2 * (k - lo) + 1] = s;
        }
        if (len) nrxi_la_rotations(hi - lo, cs, q + lo * ldq, ldq, len);
    }
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_eigh(size_t n, double *a, size_t lda, double *w, double *work)
{
    double *qt = work, *e = work + n * n, *tau = e + n, *p = tau + n, f = 0.0;
    size_t i, j, k;
    nrx_status status;
    for (i = 0; i < n; i++) {
        double v;
        if (!nrxi_all_finite(a + i * lda, i + 1, NRX_F64)) return NRX_E_NUMERIC;
        v = nrxi_la_max(i + 1, a + i * lda, 1);
        if (v > f) f = v;
    }
    f = nrxi_la_scale(f);
    for (i = 0; i < n; i++)
        for (j = 0; j <= i; j++) a[j * lda + i] = a[i * lda + j] *= f;
    nrxi_la_tridiagonal(n, a, lda, w, e, tau, p);
    memset(qt, 0, n * n * sizeof *qt);
    for (i = 0; i < n; i++) qt[i * n + i] = 1.0;
    for (k = n; k-- > 0;)
        if (k + 1 < n)
            nrxi_la_reflect_right(n - k - 1, n - k - 1, a + k * lda + k + 1, tau[k], qt + (k + 1) * n + k + 1,
                                  n);
    status = nrxi_la_tridiagonal_qr(n, w, e, qt, n, n, tau);
    if (status != NRX_OK) return status;
    for (i = 0; i < n; i++) { /* ascending */
        size_t least = i;
        for (j = i + 1; j < n; j++)
            if (w[j] < w[least]) least = j;
        if (least != i) {
            nrxi_la_swap(1, w + i, 1, w + least, 1);
            nrxi_la_swap(n, qt + i * n, 1, qt + least * n, 1);
        }
        w[i] /= f;
    }
    nrxi_la_transpose(n, n, qt, n, a, lda);
    return NRX_OK;
}

/* ---- singular values: bidiagonalization, Golub-Kahan implicit QR ---- */

/* A (m x n, m >= n) -> upper bidiagonal d, e. Left reflector k stays in column k, right reflector k in row k
   right of the diagonal (their leading ones are understood). v, w: m and n doubles. */
NRXI_FN void nrxi_la_bidiagonal(size_t m, size_t n, double *a, size_t lda, double *d, double *e, double *tauq,
                                double *taup, double *v, double *w)
{
    size_t i, k;
    (void)v;
    for (k = 0; k < n; k++) {
        double *row = a + k * lda + k;
        size_t r = n - k - 1;
        tauq[k] = nrxi_la_reflector(m - k, row, lda);
        d[k] = row[0];
        nrxi_la_reflect_left(m - k, r, row, lda, tauq[k], row + 1, lda, w);
        taup[k] = 0.0;
        e[k] = 0.0;
        if (r == 0) continue;
        taup[k] = nrxi_la_reflector(r, row + 1, 1);
        e[k] = row[1];
        row[1] = 1.0;
        if (taup[k] != 0.0)
            for (i = k + 1; i < m; i++) {
                double *x = a + i * lda + k + 1;
                nrxi_la_axpy(r, -taup[k] * nrxi_la_dot(r, x, row + 1), row + 1, x);
            }
    }
}

/* Singular values of the bidiagonal (d, e) into d >= 0, unsorted; rotations go to the rows of ut (length lu)
   and vt (length lv). cu: 4 n. */
NRXI_FN nrx_status nrxi_la_bidiagonal_qr(size_t n, double *d, double *e, double *ut, size_t ldu, size_t lu,
                                         double *vt, size_t ldv, size_t lv, double *cu)
{
    const double eps = 1.1e-16, tiny = 1e-60;
    size_t hi = n ? n - 1 : 0, lo, k, i, left = 60 * n + 60;
    double c, s, *cv = cu + 2 * n;
    while (hi > 0) {
        double t11, t12, t22, delta, mu, x, z;
        for (lo = hi; lo > 0; lo--) {
            double off = fabs(e[lo - 1]);
            if (off <= eps * (fabs(d[lo]) + fabs(d[lo - 1])) || off <= tiny) { e[lo - 1] = 0.0; break; }
        }
        if (lo == hi) { hi--; continue; }
        if (left-- == 0) return NRX_E_NUMERIC;
        for (k = lo; k < hi; k++)
            if (fabs(d[k]) <= tiny) break;
        if (k < hi) { /* zero on the diagonal: chase e[k] out of row k to the right */
            z = e[k];
            d[k] = e[k] = 0.0;
            for (i = k + 1; i <= hi && z != 0.0; i++) {
                d[i] = nrxi_la_givens(d[i], z, &c, &s);
                z = -s * e[i];
                if (i < hi) e[i] *= c;
                if (lu) nrxi_la_rotate(lu, c, s, ut + i * ldu, ut + k * ldu);
                if (i == hi) break;
            }
            continue;
        }
        t22 = d[hi] * d[hi] + e[hi - 1] * e[hi - 1];
        t11 = d[hi - 1] * d[hi - 1] + (hi - 1 > lo ? e[hi - 2] * e[hi - 2] : 0.0);
        t12 = d[hi - 1] * e[hi - 1];
        delta = 0.5 * (t11 - t22);
        z = delta + (delta > 0.0 ? 1.0 : -1.0) * hypot(delta, t12);
        mu = z != 0.0 ? t22 - t12 / z * t12 : t22;
        x = d[lo] - mu / d[lo];
        z = e[lo];
        for (k = lo; k < hi; k++) {
            double r = nrxi_la_givens(x, z, &c, &s);
            if (k > lo) e[k - 1] = r;
            x = c * d[k] + s * e[k];
            e[k] = c * e[k] - s * d[k];
            z = s * d[k + 1];
            d[k + 1] *= c;
            cv[2 * (k - lo)] = c;
            cv[2 * (k - lo) + 1] = s;
            d[k] = nrxi_la_givens(x, z, &c, &s);
            x = c * e[k] + s * d[k + 1];
            d[k + 1] = c * d[k + 1] - s * e[k];
            e[k] = x;
            if (k + 1 < hi) {
                z = s * e[k + 1];
                e[k + 1] *= c;
            }
            cu[2 * (k - lo)] = c;
            cu[2 * (k - lo) + 1] = s;
        }
        if (lu) nrxi_la_rotations(hi - lo, cu, ut + lo * ldu, ldu, lu);
        if (lv) nrxi_la_rotations(hi - lo, cv, vt + lo * ldv, ldv, lv);
    }
    for (k = 0; k < n; k++)
        if (d[k] < 0.0) {
            d[k] = -d[k];
            for (i = 0; i < lv; i++) vt[k * ldv + i] = -vt[k * ldv + i];
        }
    return NRX_OK;
}

NRXI_FN size_t nrxi_svd_work(size_t m, size_t n)
{
    size_t big = m > n ? m : n, k = nrxi_la_min(m, n), c = nrxi_la_count(big, k, 0),
           r = nrxi_la_count(k, k, big);
    if (c > (size_t)-1 / 64 || r > (size_t)-1 / 64) return (size_t)-1;
    return 2 * c + r + 8 * k + big + 64;
}

/* The case m >= n with U^T (n x m) and V^T (n x n) as rows; a is destroyed. small: 5 n + m doubles. */
NRXI_FN nrx_status nrxi_la_svd_tall(size_t m, size_t n, double *a, size_t lda, double *s, double *ut,
                                    size_t ldu, double *vt, size_t ldv, double *small)
{
    double *e = small, *tauq = e + n, *taup = tauq + n, *w = taup + n, *v = w + n;
    size_t i, j, k;
    nrx_status status;
    nrxi_la_bidiagonal(m, n, a, lda, s, e, tauq, taup, v, w);
    if (ut) {
        for (i = 0; i < n; i++) {
            memset(ut + i * ldu, 0, m * sizeof *ut);
            memset(vt + i * ldv, 0, n * sizeof *vt);
            ut[i * ldu + i] = vt[i * ldv + i] = 1.0;
        }
        for (k = n; k-- > 0;) {
            v[0] = 1.0;
            for (i = 1; i < m - k; i++) v[i] = a[(k + i) * lda + k];
            nrxi_la_reflect_right(n - k, m - k, v, tauq[k], ut + k * ldu + k, ldu);
            if (k + 1 < n)
                nrxi_la_reflect_right(n - k - 1, n - k - 1, a + k * lda + k + 1, taup[k],
                                      vt + (k + 1) * ldv + k + 1, ldv);
        }
    }
    status = nrxi_la_bidiagonal_qr(n, s, e, ut, ldu, ut ? m : 0, vt, ldv, ut ? n : 0, tauq);
    if (status != NRX_OK) return status;
    for (i = 0; i < n; i++) { /* descending */
        size_t most = i;
        for (j = i + 1; j < n; j++)
            if (s[j] > s[most]) most = j;
        if (most == i) continue;
        nrxi_la_swap(1, s + i, 1, s + most, 1);
        if (ut) {
            nrxi_la_swap(m, ut + i * ldu, 1, ut + most * ldu, 1);
            nrxi_la_swap(n, vt + i * ldv, 1, vt + most * ldv, 1);
        }
    }
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_svd(size_t m, size_t n, double *a, size_t lda, double *s, double *u, size_t ldu,
                            double *vt, size_t ldvt, double *work)
{
    size_t big = m > n ? m : n, k = nrxi_la_min(m, n), i, j;
    int vectors = u != NULL && vt != NULL;
    double *t = work, *lt = t + big * k, *rt = lt + big * k, *small = rt + k * k, f = 0.0;
    nrx_status status;
    if (!nrxi_la_finite(m, n, a, lda)) return NRX_E_NUMERIC;
    for (i = 0; i < m; i++) {
        double v = nrxi_la_max(n, a + i * lda, 1);
        if (v > f) f = v;
    }
    f = nrxi_la_scale(f);
    if (m >= n) for (i = 0; i < m; i++) memcpy(t + i * n, a + i * lda, n * sizeof *t);
    else nrxi_la_transpose(m, n, a, lda, t, k);
    for (i = 0; i < big * k; i++) t[i] *= f;
    status = nrxi_la_svd_tall(big, k, t, k, s, vectors ? lt : NULL, big, rt, k, small);
    if (status != NRX_OK) return status;
    for (i = 0; i < k; i++) s[i] /= f;
    if (!vectors) return NRX_OK;
    if (m >= n) {
        nrxi_la_transpose(k, m, lt, big, u, ldu);
        for (i = 0; i < k; i++) memcpy(vt + i * ldvt, rt + i * k, n * sizeof *vt);
    } else { /* A^T = L S R^T: U = R, V^T = L^T */
        nrxi_la_transpose(k, k, rt, k, u, ldu);
        for (i = 0; i < k; i++) memcpy(vt + i * ldvt, lt + i * big, n * sizeof *vt);
    }
    (void)j;
    return NRX_OK;
}

NRXI_GLUE_BEGIN /* its loops are short and branchy: as fast so */

/* ---- general eigenproblem: balancing, Hessenberg form, Francis double-shift QR, back-substitution in the
   real Schur form ---- */

NRXI_FN size_t nrxi_eig_work(size_t n)
{
    return n > (size_t)-1 / 64 ? (size_t)-1 : nrxi_la_count(2 * n, n, 6 * n + 16);
}

/* Diagonal scaling by powers of two that brings row and column norms together (Parlett and Reinsch; the norms
   of James, Langou and Lowery 2014); scale gets D, a becomes D^-1 A D. Undone when the condition of D times
   the new norm exceeds the old norm, because the result would then no longer be backward stable for A
   (Watkins 2006). */
NRXI_FN void nrxi_la_balance(size_t n, double *a, size_t lda, double *scale)
{
    double before = 0.0, after = 0.0, low = 1.0, high = 1.0;
    size_t i, j, sweep, changed = 1;
    for (i = 0; i < n; i++) {
        scale[i] = 1.0;
        before += nrxi_la_dot(n, a + i * lda, a + i * lda);
    }
    for (sweep = 0; changed && sweep < 40; sweep++)
        for (changed = 0, i = 0; i < n; i++) {
            double c = nrxi_la_norm(n, a + i, lda), r = nrxi_la_norm(n, a + i * lda, 1), f, g;
            int e;
            if (!(c > 0.0) || !(r > 0.0)) continue;
            (void)frexp(r / c, &e);
            f = ldexp(1.0, e / 2);
            g = scale[i] * f;
            if ((c * f) * (c * f) + (r / f) * (r / f) >= 0.9 * (c * c + r * r) || g > 1e100 || g < 1e-100)
                continue;
            changed = 1;
            scale[i] = g;
            for (j = 0; j < n; j++) a[i * lda + j] /= f;
            for (j = 0; j < n; j++) a[j * lda + i] *= f;
        }
    for (i = 0; i < n; i++) {
        after += nrxi_la_dot(n, a + i * lda, a + i * lda);
        if (scale[i] < low) low = scale[i];
        if (scale[i] > high) high = scale[i];
    }
    if (high / low * sqrt(after) <= 32.0 * sqrt(before)) return;
    for (i = 0; i < n; i++)
        for (j = 0; j < n; j++) a[i * lda + j] *= scale[i] / scale[j];
    for (i = 0; i < n; i++) scale[i] = 1.0;
}

/* H <- P H P, Z^T <- P Z^T for the reflector of (x, y, z) in rows k .. k+size-1 of the active block; columns
   from `from`, rows to `to`. */
NRXI_FN void nrxi_la_bulge(size_t n, double *h, size_t lda, double *zt, size_t k, size_t size, double *x,
                           size_t from, size_t to)
{
    double tau = nrxi_la_reflector(size, x, 1), v1 = x[1], v2 = size == 3 ? x[2] : 0.0;
    double *r0 = h + k * lda, *r1 = r0 + lda, *r2 = size == 3 ? r1 + lda : r0;
    size_t j;
    for (j = from; j < n; j++) {
        double t = tau * (r0[j] + v1 * r1[j] + v2 * r2[j]);
        r0[j] -= t;
        r1[j] -= t * v1;
        if (size == 3) r2[j] -= t * v2;
    }
    for (j = 0; j <= to; j++) {
        double *row = h + j * lda + k, t = tau * (row[0] + v1 * row[1] + (size == 3 ? v2 * row[2] : 0.0));
        row[0] -= t;
        row[1] -= t * v1;
        if (size == 3) row[2] -= t * v2;
    }
    r0 = zt + k * n; r1 = r0 + n; r2 = size == 3 ? r1 + n : r0;
    for (j = 0; j < n; j++) {
        double t = tau * (r0[j] + v1 * r1[j] + v2 * r2[j]);
        r0[j] -= t;
        r1[j] -= t * v1;
        if (size == 3) r2[j] -= t * v2;
    }
}

/* Eigenvalues of [a b; c d]: w = re, im of the first (im >= 0), then of the second. Returns 1 when they are
   real. */
NRXI_FN int nrxi_la_eig2(double a, double b, double c, double d, double *w)
{
    double p = 0.5 * (a - d), q = p * p + b * c, r;
    if (q >= 0.0) {
        r = p + (p >= 0.0 ? sqrt(q) : -sqrt(q));
        w[0] = d + r;
        w[2] = r != 0.0 ? d - b / r * c : w[0];
        w[1] = w[3] = 0.0;
        return 1;
    }
    w[0] = w[2] = 0.5 * (a + d);
    w[1] = sqrt(-q);
    w[3] = -w[1];
    return 0;
}

/* Hessenberg h -> real Schur form Z^T H Z with 2 x 2 blocks for complex pairs only; w: n complex numbers. */
NRXI_FN nrx_status nrxi_la_schur(size_t n, double *h, size_t lda, double *zt, double *w)
{
    size_t end = n, lo, hi, k, steps = 0, left = 60 * n + 60;
    while (end > 0) {
        double s, t, x[3], *l;
        hi = end - 1;
        for (lo = hi; lo > 0; lo--) {
            double near = fabs(h[lo * lda + lo]) + fabs(h[(lo - 1) * lda + lo - 1]),
                   off = fabs(h[lo * lda + lo - 1]);
            /* the matrix is scaled to 1; products must not underflow */
            if (off <= 1.1e-16 * near || off < 1e-100) {
                h[lo * lda + lo - 1] = 0.0;
                break;
            }
        }
        l = h + hi * lda;
        if (lo == hi) {
            w[2 * hi] = l[hi];
            w[2 * hi + 1] = 0.0;
            end--;
            steps = 0;
            continue;
        }
        if (lo + 1 == hi) {
            /* real: make it triangular */
            if (nrxi_la_eig2(h[lo * lda + lo], h[lo * lda + hi], l[lo], l[hi], w + 2 * lo)) {
                x[0] = w[2 * lo] - l[hi]; /* (T - w) x = 0 */
                x[1] = l[lo];
                nrxi_la_bulge(n, h, lda, zt, lo, 2, x, lo, hi);
                l[lo] = 0.0;
            }
            end -= 2;
            steps = 0;
            continue;
        }
        if (left-- == 0) return NRX_E_NUMERIC;
        s = h[(hi - 1) * lda + hi - 1] + l[hi];
        t = h[(hi - 1) * lda + hi - 1] * l[hi] - h[(hi - 1) * lda + hi] * l[hi - 1];
        if (++steps % 10 == 0) { /* exceptional shift breaks cycles */
            s = fabs(l[hi - 1]) + fabs(h[(hi - 1) * lda + hi - 2]);
            t = s * s;
            s *= 1.5;
        }
        l = h + lo * lda;
        x[0] = (l[lo] * (l[lo] - s) + t) / l[lda + lo] + l[lo + 1];
        x[1] = l[lo] + l[lda + lo + 1] - s;
        x[2] = l[2 * lda + lo + 1];
        for (k = lo; k + 1 <= hi; k++) {
            size_t size = k + 2 <= hi ? 3 : 2, i;
            if (k > lo) for (i = 0; i < size; i++) x[i] = h[(k + i) * lda + k - 1];
            nrxi_la_bulge(n, h, lda, zt, k, size, x, k > lo ? k - 1 : lo, k + 3 < hi ? k + 3 : hi);
            if (k > lo) for (i = 1; i < size; i++) h[(k + i) * lda + k - 1] = 0.0;
        }
    }
    return NRX_OK;
}

/* (qr, qi) = (ar, ai) / (br, bi) without overflow (Smith). */
NRXI_FN void nrxi_la_divide(double ar, double ai, double br, double bi, double *qr, double *qi)
{
    if (fabs(br) >= fabs(bi)) {
        double f = bi / br, d = br + bi * f;
        *qr = (ar + ai * f) / d;
        *qi = (ai - ar * f) / d;
    } else {
        double f = br / bi, d = br * f + bi;
        *qr = (ar * f + ai) / d;
        *qi = (ai * f - ar) / d;
    }
}

/* Eigenvector (xr, xi) of the quasi-triangular t for eigenvalue k (first of its pair): zero below, solved
   upwards. */
NRXI_FN void nrxi_la_schur_vector(size_t n, const double *t, size_t lda, const double *w, size_t k,
                                  double small, double *xr, double *xi)
{
    double lr = w[2 * k], li = w[2 * k + 1];
    size_t i = k, j;
    memset(xr, 0, n * sizeof *xr);
    memset(xi, 0, n * sizeof *xi);
    xr[k] = 1.0;
    if (li != 0.0) { /* (t_kk - l) x_k + t_k,k+1 x_k+1 = 0 */
        nrxi_la_divide(lr - t[k * lda + k], li, t[k * lda + k + 1], 0.0, xr + k + 1, xi + k + 1);
    }
    while (i-- > 0) {
        const double *row = t + i * lda;
        size_t last = li != 0.0 ? k + 1 : k;
        double r = 0.0, m = 0.0, dr = row[i] - lr, di = -li, big;
        for (j = i + 1; j <= last; j++) {
            r -= row[j] * xr[j];
            m -= row[j] * xi[j];
        }
        /* rows i-1, i form a block [a b; c d]: Cramer with the complex determinant */
        if (i > 0 && row[i - 1] != 0.0) {
            const double *up = row - lda;
            double ur = 0.0, ui = 0.0, b = up[i], c = row[i - 1], ar = up[i - 1] - lr, er, ei;
            for (j = i + 1; j <= last; j++) {
                ur -= up[j] * xr[j];
                ui -= up[j] * xi[j];
            }
            er = ar * dr - di * di - b * c;
            ei = di * (ar + dr);
            if (fabs(er) + fabs(ei) < small * small) er = small * small;
            nrxi_la_divide(ur * dr - ui * di - b * r, ur * di + ui * dr - b * m, er, ei, xr + i - 1,
                           xi + i - 1);
            nrxi_la_divide(ar * r - di * m - c * ur, ar * m + di * r - c * ui, er, ei, xr + i, xi + i);
            i--;
        } else {
            if (fabs(dr) + fabs(di) < small) dr = small;
            nrxi_la_divide(r, m, dr, di, xr + i, xi + i);
        }
        big = fabs(xr[i]) + fabs(xi[i]);
        if (big > 1e100)
            for (j = i; j <= last; j++) { xr[j] /= big; xi[j] /= big; }
    }
}

NRXI_FN nrx_status nrxi_eig(size_t n, double *a, size_t lda, double *w, double *v, size_t ldv, double *work)
{
    double *zt = work, *scale = work + n * n, *tau = scale + n, *xr = tau + n, *xi = xr + n, *yr = xi + n,
           *yi = yr + n, f = 0.0;
    size_t i, j, k;
    nrx_status status;
    if (!nrxi_la_finite(n, n, a, lda)) return NRX_E_NUMERIC;
    for (i = 0; i < n; i++) {
        double big = nrxi_la_max(n, a + i * lda, 1);
        if (big > f) f = big;
    }
    f = nrxi_la_scale(f);
    for (i = 0; i < n; i++)
        for (j = 0; j < n; j++) a[i * lda + j] *= f;
    nrxi_la_balance(n, a, lda, scale);
    memset(zt, 0, n * n * sizeof *zt);
    for (i = 0; i < n; i++) zt[i * n + i] = 1.0;
    for (k = 0; k + 2 < n; k++) { /* Hessenberg; the reflectors are applied to Z^T at once */
        double *col = a + (k + 1) * lda + k, beta;
        tau[k] = nrxi_la_reflector(n - k - 1, col, lda);
        beta = col[0];
        for (i = 0; i < n - k - 1; i++) xr[i] = col[i * lda];
        xr[0] = 1.0;
        nrxi_la_reflect_left(n - k - 1, n - k - 1, xr, 1, tau[k], col + 1, lda, xi);
        nrxi_la_reflect_right(n, n - k - 1, xr, tau[k], a + k + 1, lda);
        nrxi_la_reflect_left(n - k - 1, n, xr, 1, tau[k], zt + (k + 1) * n, n, xi);
        memset(xi, 0, sizeof *xi);
        col[0] = beta;
        for (i = 1; i < n - k - 1; i++) col[i * lda] = 0.0;
    }
    status = nrxi_la_schur(n, a, lda, zt, w);
    if (status != NRX_OK) return status;
    for (k = 0; v && k < n; k++) {
        double norm, big = 0.0, c = 1.0, s = 0.0;
        int pair = w[2 * k + 1] != 0.0;
        nrxi_la_schur_vector(n, a, lda, w, k, 2.2e-16 * 0.01 + 1e-300, xr, xi);
        memset(yr, 0, n * sizeof *yr);
        memset(yi, 0, n * sizeof *yi);
        for (j = 0; j < n && j <= k + (size_t)pair; j++) {
            nrxi_la_axpy(n, xr[j], zt + j * n, yr);
            if (pair) nrxi_la_axpy(n, xi[j], zt + j * n, yi);
        }
        for (i = 0; i < n; i++) {
            yr[i] *= scale[i];
            yi[i] *= scale[i];
        }
        norm = hypot(nrxi_la_norm(n, yr, 1), nrxi_la_norm(n, yi, 1));
        for (i = 0; i < n; i++) /* turn the largest entry real and positive */
            if (hypot(yr[i], yi[i]) > big) {
                big = hypot(yr[i], yi[i]);
                c = yr[i] / big;
                s = -yi[i] / big;
            }
        if (!pair) { c = 1.0; s = 0.0; }
        for (i = 0; i < n; i++) {
            double *z = v + 2 * (i * ldv + k), re = yr[i] / norm, im = yi[i] / norm;
            z[0] = c * re - s * im;
            z[1] = c * im + s * re;
            if (pair) { z[2] = z[0]; z[3] = -z[1]; }
        }
        if (pair) k++;
    }
    for (i = 0; i < 2 * n; i++) w[i] /= f;
    return NRX_OK;
}
NRXI_GLUE_END
#elif NRXI_LINALG_VERSION != 2784268824
#error "nrx: headers with different versions of the linalg block are mixed in one translation unit"
#endif
/* <<< nrx linalg (implementation) */
/* >>> nrx files (implementation) */
#ifndef NRXI_FILES_VERSION
#define NRXI_FILES_VERSION 1664771424
/* .npy (versions 1 to 3, either byte order, C or Fortran order) and stored .npz, from paths and from memory.
   Formats: numpy.lib.format; zip by PKWARE's APPNOTE. Every access is checked against the size of what holds
   it, so that any input gives a status and one line. Arrays come out in C order as
     NRX_F32, NRX_F64   from bool, integers of 8 to 64 bits, f16, f32, f64 (rounded to nearest); complex numbers get
                        one more dimension of size 2 at the end (real, imaginary)
     NRX_I64            from bool and integers
   `shape` arguments have room for NRXI_NPY_NDIM sizes. What is returned is freed with nrxi_free(env, .).
   Under NRX_NO_STDIO the functions that take a path give NRX_E_UNSUPPORTED.

   nrxi_npy_read(bytes, n, info, who, env)                        header only; `who` is named in the log
   nrxi_npy_decode(bytes, n, dtype, data, shape, ndim, who, env)  whole array from memory
   nrxi_npy_load(path, dtype, data, shape, ndim, env)             whole array from a file
   nrxi_npy_encode(dtype, data, shape, ndim, bytes, n, env)       the file as bytes
   nrxi_npy_save(path, dtype, data, shape, ndim, env)
   nrxi_npz_find(bytes, n, index, name, entry, who, env)          by name ("x" or "x.npy"); by index if NULL
   nrxi_npz_encode(items, count, bytes, n, env)                   an archive as numpy.savez writes it
   nrxi_file_read(path, bytes, n, env), nrxi_file_write(path, head, head_size, bytes, n, env) */
#ifndef NRX_NO_STDIO
#include <stdio.h>
#endif

NRXI_GLUE_BEGIN

enum { NRXI_NPY_NDIM = 8, NRXI_NPY_HEAD = 320 };

typedef struct nrxi_npy {
    char   kind;                 /* 'b' bool, 'i', 'u', 'f', 'c' */
    int    item;                 /* bytes of one number (half of a complex one) */
    int    big_endian, fortran;
    int    ndim;                 /* with the extra dimension of complex numbers */
    size_t shape[NRXI_NPY_NDIM];
    size_t count;                /* numbers */
    size_t offset;               /* of the data in the file */
} nrxi_npy;

typedef struct nrxi_npz_entry {
    const char *name;            /* not terminated */
    size_t name_size;
    const unsigned char *bytes;  /* the stored file inside the archive */
    size_t n;
} nrxi_npz_entry;

NRXI_FN int nrxi_big_endian(void)
{
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first == 0;
}

/* Little-endian number of 1 to 8 bytes. */
NRXI_FN uint64_t nrxi_get_le(const unsigned char *p, int bytes)
{
    uint64_t v = 0;
    while (bytes-- > 0) v = v << 8 | p[bytes];
    return v;
}
NRXI_FN unsigned char *nrxi_put_le(unsigned char *p, uint64_t v, int bytes)
{
    for (; bytes > 0; bytes--, v >>= 8) *p++ = (unsigned char)(v & 0xffu);
    return p;
}

/* ---- header: a Python dictionary with the keys descr, fortran_order and shape, once each ---- */

typedef struct nrxi_npy_text { const char *at, *end; const char *who; const nrx_env *env; } nrxi_npy_text;

/* Fails and shows what stands at the current place. */
NRXI_FN nrx_status nrxi_npy_fail(const nrxi_npy_text *t, nrx_status status, const char *expected)
{
    char found[28];
    size_t i;
    for (i = 0; i + 1 < sizeof found && t->at + i < t->end; i++)
        found[i] = t->at[i] >= 32 && t->at[i] < 127 ? t->at[i] : '.';
    found[i] = 0;
    return nrxi_fail(t->env, status, "nrx_npy_load: %s: header: expected %s, found \"%s\"", t->who, expected,
                     found);
}

NRXI_FN void nrxi_npy_space(nrxi_npy_text *t)
{
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\n' || *t->at == '\t' || *t->at == '\r')) t->at++;
}
NRXI_FN int nrxi_npy_accept(nrxi_npy_text *t, const char *word)
{
    size_t n = strlen(word);
    nrxi_npy_space(t);
    if ((size_t)(t->end - t->at) < n || memcmp(t->at, word, n) != 0) return 0;
    t->at += n;
    return 1;
}

/* A quoted string without escapes; *s points into the text. */
NRXI_FN int nrxi_npy_string(nrxi_npy_text *t, const char **s, size_t *n)
{
    const char *p;
    nrxi_npy_space(t);
    if (t->at >= t->end || (*t->at != '\'' && *t->at != '"')) return 0;
    for (p = t->at + 1; p < t->end && *p != *t->at; p++)
        if (*p == '\\') return 0;
    if (p >= t->end) return 0;
    *s = t->at + 1;
    *n = (size_t)(p - t->at) - 1;
    t->at = p + 1;
    return 1;
}

NRXI_FN nrx_status nrxi_npy_descr(nrxi_npy_text *t, nrxi_npy *info)
{
    const char *s, *start, *types = "b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 c8 c16 ";
    size_t n, len;
    nrxi_npy_space(t);
    start = t->at;
    if (!nrxi_npy_string(t, &s, &n))
        return nrxi_npy_fail(t, t->at < t->end && *t->at == '[' ? NRX_E_UNSUPPORTED : NRX_E_FORMAT,
                             "a simple dtype such as '<f4'");
    if (n > 0 && (*s == '<' || *s == '>' || *s == '|' || *s == '=')) {
        info->big_endian = *s == '>' || (*s == '=' && nrxi_big_endian());
        s++;
        n--;
    } else info->big_endian = nrxi_big_endian();
    for (; *types; types += len + 1) {
        for (len = 0; types[len] != ' ';) len++;
        if (n == len && memcmp(s, types, n) == 0) {
            info->kind = s[0];
            info->item = s[0] == 'c' ? (n == 3 ? 8 : 4) : s[1] - '0';
            return NRX_OK;
        }
    }
    t->at = start;
    return nrxi_npy_fail(t, NRX_E_UNSUPPORTED, "a dtype of bool, integers, floats or complex numbers");
}

NRXI_FN nrx_status nrxi_npy_shape(nrxi_npy_text *t, nrxi_npy *info)
{
    const char *start;
    if (!nrxi_npy_accept(t, "(")) return nrxi_npy_fail(t, NRX_E_FORMAT, "a shape such as (3, 4)");
    info->ndim = 0;
    while (!nrxi_npy_accept(t, ")")) {
        size_t v = 0;
        start = t->at;
        if (t->at >= t->end || *t->at < '0' || *t->at > '9')
            return nrxi_npy_fail(t, NRX_E_FORMAT, "a size in the shape");
        for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++)
            if (!nrxi_mul_ok(v, 10, &v) || !nrxi_add_ok(v, (size_t)(*t->at - '0'), &v)) {
                t->at = start;
                return nrxi_npy_fail(t, NRX_E_RANGE, "a size that fits this machine");
            }
        if (t->at < t->end && *t->at == 'L') t->at++; /* written by Python 2 */
        if (info->ndim == NRXI_NPY_NDIM) return nrxi_npy_fail(t, NRX_E_UNSUPPORTED, "at most 8 dimensions");
        info->shape[info->ndim++] = v;
        if (nrxi_npy_accept(t, ",")) continue;
        if (info->ndim > 1 && nrxi_npy_accept(t, ")")) break;
        /* (3) is a number in Python, not a tuple */
        return nrxi_npy_fail(t, NRX_E_FORMAT, "a comma in the shape");
    }
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_npy_dictionary(nrxi_npy_text *t, nrxi_npy *info)
{
    static const char *const keys[3] = { "descr", "fortran_order", "shape" };
    unsigned seen = 0, k;
    if (!nrxi_npy_accept(t, "{")) return nrxi_npy_fail(t, NRX_E_FORMAT, "'{'");
    while (!nrxi_npy_accept(t, "}")) {
        const char *key, *start = t->at;
        size_t n;
        nrx_status status = NRX_OK;
        if (!nrxi_npy_string(t, &key, &n)) return nrxi_npy_fail(t, NRX_E_FORMAT, "a key");
        for (k = 0; k < 3; k++)
            if (n == strlen(keys[k]) && memcmp(key, keys[k], n) == 0) break;
        if (k == 3 || (seen & 1u << k)) t->at = start;
        if (k == 3) return nrxi_npy_fail(t, NRX_E_FORMAT, "descr, fortran_order or shape");
        if (seen & 1u << k) return nrxi_npy_fail(t, NRX_E_FORMAT, "each key once");
        seen |= 1u << k;
        if (!nrxi_npy_accept(t, ":")) return nrxi_npy_fail(t, NRX_E_FORMAT, "':'");
        if (k == 0) status = nrxi_npy_descr(t, info);
        else if (k == 2) status = nrxi_npy_shape(t, info);
        else if (nrxi_npy_accept(t, "True")) info->fortran = 1;
        else if (!nrxi_npy_accept(t, "False")) status = nrxi_npy_fail(t, NRX_E_FORMAT, "True or False");
        if (status != NRX_OK) return status;
        if (nrxi_npy_accept(t, ",")) continue;
        if (nrxi_npy_accept(t, "}")) break;
        return nrxi_npy_fail(t, NRX_E_FORMAT, "',' or '}'");
    }
    nrxi_npy_space(t);
    if (t->at != t->end) return nrxi_npy_fail(t, NRX_E_FORMAT, "the end of the header");
    for (k = 0; k < 3; k++)
        if (!(seen & 1u << k))
            return nrxi_fail(t->env, NRX_E_FORMAT, "nrx_npy_load: %s: header has no key '%s'", t->who,
                             keys[k]);
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_npy_read(const void *bytes, size_t n, nrxi_npy *info, const char *who,
                                 const nrx_env *env)
{
    const unsigned char *p = (const unsigned char *)bytes;
    size_t length, need, room = 1;
    nrxi_npy_text t;
    nrx_status status;
    int i;
    memset(info, 0, sizeof *info);
    if (n < 10 || memcmp(p, "\223NUMPY", 6) != 0)
        return nrxi_fail(env, NRX_E_FORMAT,
                         "nrx_npy_load: %s: not a .npy file (%zu bytes, no NUMPY signature)", who, n);
    if (p[6] < 1 || p[6] > 3)
        return nrxi_fail(env, NRX_E_UNSUPPORTED, "nrx_npy_load: %s: format version %d.%d, known are 1 to 3",
                         who, (int)p[6], (int)p[7]);
    info->offset = p[6] == 1 ? 10 : 12;
    if (n < info->offset)
        return nrxi_fail(env, NRX_E_FORMAT, "nrx_npy_load: %s: truncated in the header", who);
    length = (size_t)nrxi_get_le(p + 8, p[6] == 1 ? 2 : 4);
    if (length > n - info->offset)
        return nrxi_fail(env, NRX_E_FORMAT, "nrx_npy_load: %s: header of %zu bytes, file has %zu", who,
                         length, n - info->offset);
    t.at = (const char *)p + info->offset;
    t.end = t.at + length;
    t.who = who;
    t.env = env;
    info->offset += length;
    status = nrxi_npy_dictionary(&t, info);
    if (status != NRX_OK) return status;
    if (info->kind == 'c') {
        if (info->ndim == NRXI_NPY_NDIM)
            return nrxi_fail(env, NRX_E_UNSUPPORTED, "nrx_npy_load: %s: complex with 8 dimensions", who);
        info->shape[info->ndim++] = 2;
    }
    info->count = 1;
    for (i = 0; i < info->ndim; i++) { /* zeros do not hide an overflow of the other sizes */
        info->count *= info->shape[i];
        if (!nrxi_mul_ok(room, info->shape[i] ? info->shape[i] : 1, &room) || room > (size_t)-1 / 16)
            return nrxi_fail(env, NRX_E_RANGE,
                             "nrx_npy_load: %s: shape with %d dimensions overflows (size %zu)", who,
                             info->ndim, info->shape[i]);
    }
    need = info->count * (size_t)info->item;
    if (need > n - info->offset)
        return nrxi_fail(env, NRX_E_FORMAT,
                         "nrx_npy_load: %s: truncated: shape needs %zu bytes of data, file has %zu", who,
                         need, n - info->offset);
    return NRX_OK;
}

/* ---- data ---- */

NRXI_FN double nrxi_half_to_double(unsigned h)
{
    int e = (int)(h >> 10 & 31u), m = (int)(h & 1023u);
    double v;
    if (e == 31) { /* infinity or NaN, by bits */
        uint64_t bits = (uint64_t)0x7ff << 52 | (uint64_t)m << 42;
        memcpy(&v, &bits, 8);
    } else v = e ? ldexp((double)(1024 + m), e - 25) : ldexp((double)m, -24);
    return h & 0x8000u ? -v : v;
}

/* Number at p as a double, or as an integer for the integer kinds. */
NRXI_FN double nrxi_npy_number(const nrxi_npy *info, const unsigned char *p, uint64_t *integer)
{
    uint64_t v = 0;
    double d;
    float f;
    int i, size = info->item;
    if (info->big_endian) for (i = 0; i < size; i++) v = v << 8 | p[i];
    else v = nrxi_get_le(p, size);
    *integer = v;
    switch (info->kind) {
    case 'b': *integer = v != 0; return v != 0 ? 1.0 : 0.0;
    case 'u': return (double)v;
    case 'i':
        if (size < 8 && (v >> (8 * size - 1) & 1u)) *integer = v |= ~(uint64_t)0 << (8 * size);
        return v >> 63 ? -(double)(~v + 1u) : (double)v;
    default:
        if (size == 2) return nrxi_half_to_double((unsigned)v);
        if (size == 8) { memcpy(&d, &v, 8); return d; }
        { uint32_t w = (uint32_t)v; memcpy(&f, &w, 4); }
        return (double)f;
    }
}

/* Converts all numbers to `dtype` in C order; 0 when one does not fit (u64 above the range of i64). */
NRXI_FN int nrxi_npy_convert(const nrxi_npy *info, const unsigned char *bytes, int dtype, void *data)
{
    size_t stride[NRXI_NPY_NDIM], index[NRXI_NPY_NDIM], i, at = 0, item = (size_t)info->item, step = item;
    int k, ok = 1, real = info->ndim - (info->kind == 'c');
    int same = info->kind == 'f' && info->big_endian == nrxi_big_endian() && item == nrxi_dtype_size(dtype);
    if (info->kind == 'c') { stride[real] = item; step = 2 * item; }
    for (i = 0; i < (size_t)real; i++) {
        k = info->fortran ? (int)i : real - 1 - (int)i;
        stride[k] = step;
        step *= info->shape[k];
    }
    if (same && (!info->fortran || info->ndim < 2)) {
        if (info->count) memcpy(data, bytes, info->count * item);
        return 1;
    }
    memset(index, 0, sizeof index);
    for (i = 0; i < info->count; i++) {
        uint64_t integer;
        double v = nrxi_npy_number(info, bytes + at, &integer);
        if (dtype == NRX_F32) ((float *)data)[i] = info->kind == 'u' || info->kind == 'i' || info->kind == 'b'
            ? (info->kind == 'i' && integer >> 63 ? -(float)(~integer + 1u) : (float)integer) : (float)v;
        else if (dtype == NRX_F64) ((double *)data)[i] = v;
        else {
            if (info->kind == 'u' && integer >> 63) ok = 0;
            memcpy((int64_t *)data + i, &integer, 8);
        }
        for (k = info->ndim - 1; k >= 0; k--) { /* next index in C order */
            at += stride[k];
            if (++index[k] < info->shape[k]) break;
            at -= stride[k] * info->shape[k];
            index[k] = 0;
        }
    }
    return ok;
}

NRXI_FN nrx_status nrxi_npy_decode(const void *bytes, size_t n, int dtype, void **data, size_t *shape,
                                   int *ndim, const char *who, const nrx_env *env)
{
    nrxi_npy info;
    void *out;
    nrx_status status;
    *data = NULL;
    if (dtype != NRX_F32 && dtype != NRX_F64 && dtype != NRX_I64)
        return nrxi_fail(env, NRX_E_ARG, "nrx_npy_load: dtype %d is none of NRX_F32, NRX_F64, NRX_I64",
                         dtype);
    status = nrxi_npy_read(bytes, n, &info, who, env);
    if (status != NRX_OK) return status;
    if (dtype == NRX_I64 && (info.kind == 'f' || info.kind == 'c'))
        return nrxi_fail(env, NRX_E_UNSUPPORTED,
                         "nrx_npy_load: %s: holds floating-point numbers, integers were asked for", who);
    out = nrxi_alloc(env, info.count, nrxi_dtype_size(dtype));
    if (!out)
        return nrxi_fail(env, NRX_E_NOMEM, "nrx_npy_load: %s: no memory for %zu numbers", who, info.count);
    if (!nrxi_npy_convert(&info, (const unsigned char *)bytes + info.offset, dtype, out)) {
        nrxi_free(env, out);
        return nrxi_fail(env, NRX_E_RANGE, "nrx_npy_load: %s: an unsigned number does not fit 64 signed bits",
                         who);
    }
    memcpy(shape, info.shape, sizeof info.shape);
    *ndim = info.ndim;
    *data = out;
    return NRX_OK;
}

/* Writes the header of a C-order array into head (NRXI_NPY_HEAD bytes): its size, a multiple of 64; 0 for a
   bad argument or overflow. */
NRXI_FN size_t nrxi_npy_head(int dtype, const size_t *shape, int ndim, unsigned char *head, size_t *bytes)
{
    nrxi_text t;
    size_t size, room = 1, count = 1;
    int i;
    if (ndim < 0 || ndim > NRXI_NPY_NDIM || (dtype != NRX_F32 && dtype != NRX_F64 && dtype != NRX_I64))
        return 0;
    for (i = 0; i < ndim; i++) {
        count *= shape[i];
        if (!nrxi_mul_ok(room, shape[i] ? shape[i] : 1, &room) || room > (size_t)-1 / 16) return 0;
    }
    *bytes = count * nrxi_dtype_size(dtype);
    t.at = (char *)head + 10;
    t.end = (char *)head + NRXI_NPY_HEAD;
    nrxi_put_string(&t, "{'descr': '");
    nrxi_put(&t, nrxi_big_endian() ? '>' : '<');
    nrxi_put_string(&t, dtype == NRX_F32 ? "f4" : dtype == NRX_F64 ? "f8" : "i8");
    nrxi_put_string(&t, "', 'fortran_order': False, 'shape': (");
    for (i = 0; i < ndim; i++) {
        nrxi_put_unsigned(&t, shape[i]);
        nrxi_put_string(&t, i + 1 < ndim ? ", " : ndim == 1 ? "," : "");
    }
    nrxi_put_string(&t, "), }");
    while (((size_t)(t.at - (char *)head) + 1) % 64) nrxi_put(&t, ' ');
    nrxi_put(&t, '\n');
    size = (size_t)(t.at - (char *)head);
    memcpy(head, "\223NUMPY\001\000", 8);
    (void)nrxi_put_le(head + 8, size - 10, 2);
    return size;
}

/* ---- whole files ---- */

NRXI_FN nrx_status nrxi_file_read(const char *path, unsigned char **bytes, size_t *n, const nrx_env *env)
{
    *bytes = NULL;
    *n = 0;
#ifdef NRX_NO_STDIO
    return nrxi_fail(env, NRX_E_UNSUPPORTED, "nrx file read: '%s': built with NRX_NO_STDIO", path);
#else
    {
        FILE *f = path ? fopen(path, "rb") : NULL;
        unsigned char *p = NULL, *grown;
        size_t size = 0, room = 0, got;
        if (!f) return nrxi_fail(env, NRX_E_IO, "nrx file read: '%s' cannot be opened", path);
        for (;;) {
            if (size == room) {
                room = room ? 2 * room : 65536;
                grown = room > size ? (unsigned char *)nrxi_alloc(env, room, 1) : NULL;
                if (grown && size) memcpy(grown, p, size);
                nrxi_free(env, p);
                p = grown;
                if (!p) {
                    (void)fclose(f);
                    return nrxi_fail(env, NRX_E_NOMEM, "nrx file read: '%s': no memory for %zu bytes", path,
                                     room);
                }
            }
            got = fread(p + size, 1, room - size, f);
            if (got == 0) break;
            size += got;
        }
        if (ferror(f)) {
            nrxi_free(env, p);
            (void)fclose(f);
            return nrxi_fail(env, NRX_E_IO, "nrx file read: '%s': error after %zu bytes", path, size);
        }
        (void)fclose(f);
        *bytes = p;
        *n = size;
        return NRX_OK;
    }
#endif
}

/* Writes two pieces, one after the other; a file that could not be finished is removed. */
NRXI_FN nrx_status nrxi_file_write(const char *path, const void *head, size_t head_size, const void *bytes,
                                   size_t n, const nrx_env *env)
{
#ifdef NRX_NO_STDIO
    (void)head; (void)head_size; (void)bytes; (void)n;
    return nrxi_fail(env, NRX_E_UNSUPPORTED, "nrx file write: '%s': built with NRX_NO_STDIO", path);
#else
    FILE *f = path ? fopen(path, "wb") : NULL;
    int ok;
    if (!f) return nrxi_fail(env, NRX_E_IO, "nrx file write: '%s' cannot be opened for writing", path);
    ok = (head_size == 0 || fwrite(head, 1, head_size, f) == head_size) &&
         (n == 0 || fwrite(bytes, 1, n, f) == n);
    if (fclose(f) != 0) ok = 0;
    if (ok) return NRX_OK;
    (void)remove(path);
    return nrxi_fail(env, NRX_E_IO, "nrx file write: '%s': %zu bytes could not be written", path, n);
#endif
}

NRXI_FN nrx_status nrxi_npy_load(const char *path, int dtype, void **data, size_t *shape, int *ndim,
                                 const nrx_env *env)
{
    unsigned char *bytes;
    size_t n;
    nrx_status status = nrxi_file_read(path, &bytes, &n, env);
    *data = NULL;
    if (status != NRX_OK) return status;
    status = nrxi_npy_decode(bytes, n, dtype, data, shape, ndim, path, env);
    nrxi_free(env, bytes);
    return status;
}

NRXI_FN nrx_status nrxi_npy_save(const char *path, int dtype, const void *data, const size_t *shape, int ndim,
                                 const nrx_env *env)
{
    unsigned char head[NRXI_NPY_HEAD];
    size_t bytes, size = nrxi_npy_head(dtype, shape, ndim, head, &bytes);
    if (!size)
        return nrxi_fail(env, NRX_E_ARG, "nrx_npy_save: '%s': dtype %d with %d dimensions cannot be written",
                         path, dtype, ndim);
    return nrxi_file_write(path, head, size, data, bytes, env);
}

NRXI_FN nrx_status nrxi_npy_encode(int dtype, const void *data, const size_t *shape, int ndim,
                                   unsigned char **bytes, size_t *n, const nrx_env *env)
{
    unsigned char head[NRXI_NPY_HEAD];
    size_t size, total = nrxi_npy_head(dtype, shape, ndim, head, &size);
    *bytes = NULL;
    if (!total)
        return nrxi_fail(env, NRX_E_ARG, "nrx_npy_encode: dtype %d with %d dimensions cannot be written",
                         dtype, ndim);
    *bytes = (unsigned char *)nrxi_alloc(env, total + size, 1);
    if (!*bytes) return nrxi_fail(env, NRX_E_NOMEM, "nrx_npy_encode: no memory for %zu bytes", total + size);
    memcpy(*bytes, head, total);
    if (size) memcpy(*bytes + total, data, size);
    *n = total + size;
    return NRX_OK;
}

/* ---- .npz: a zip archive of .npy files, stored ---- */

/* CRC-32 of ISO 3309, four bits at a time; start with crc = 0. */
NRXI_FN uint32_t nrxi_crc32(uint32_t crc, const unsigned char *p, size_t n)
{
    static const uint32_t table[16] = { 0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu,
                                        0x76dc4190u, 0x6b6b51f4u, 0x4db26158u, 0x5005713cu,
                                        0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu,
                                        0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu };
    crc = ~crc;
    for (; n; n--) {
        crc ^= *p++;
        crc = table[crc & 15u] ^ crc >> 4;
        crc = table[crc & 15u] ^ crc >> 4;
    }
    return ~crc;
}

/* Sizes and offset of a central directory record, through its zip64 field where 32 bits did not do. */
NRXI_FN int nrxi_zip_sizes(const unsigned char *rec, const unsigned char *extra, size_t extra_size,
                           uint64_t value[3])
{
    int i;
    value[0] = nrxi_get_le(rec + 24, 4); /* uncompressed, compressed, offset: the order of the zip64 field */
    value[1] = nrxi_get_le(rec + 20, 4);
    value[2] = nrxi_get_le(rec + 42, 4);
    while (extra_size >= 4) {
        size_t id = (size_t)nrxi_get_le(extra, 2), size = (size_t)nrxi_get_le(extra + 2, 2);
        if (size > extra_size - 4) return 0;
        if (id == 1)
            for (extra += 4, i = 0; i < 3; i++) {
                if (value[i] != 0xffffffffu) continue;
                if (size < 8) return 0;
                value[i] = nrxi_get_le(extra, 8);
                extra += 8;
                size -= 8;
            }
        if (id == 1) return 1;
        extra += 4 + size;
        extra_size -= 4 + size;
    }
    return 1;
}

NRXI_FN int nrxi_npz_same(const char *name, const char *stored, size_t n)
{
    size_t m = strlen(name);
    if (n == m) return memcmp(name, stored, n) == 0;
    return n == m + 4 && memcmp(name, stored, m) == 0 && memcmp(stored + m, ".npy", 4) == 0;
}

NRXI_FN nrx_status nrxi_npz_find(const unsigned char *bytes, size_t n, size_t index, const char *name,
                                 nrxi_npz_entry *entry, const char *who, const nrx_env *env)
{
    size_t end, entries, i, at, size, name_size, extra_size, start;
    const unsigned char *rec = bytes;
    uint64_t value[3];
    memset(entry, 0, sizeof *entry);
    if (n < 22)
        return nrxi_fail(env, NRX_E_FORMAT, "nrx_npz_load: %s: not a zip archive (%zu bytes)", who, n);
    for (end = n - 22; memcmp(bytes + end, "PK\005\006", 4) != 0; end--)
        if (end == 0 || n - end > 22 + 65535)
            return nrxi_fail(env, NRX_E_FORMAT, "nrx_npz_load: %s: not a zip archive (no end record)", who);
    entries = (size_t)nrxi_get_le(bytes + end + 10, 2);
    size = (size_t)nrxi_get_le(bytes + end + 12, 4);
    at = (size_t)nrxi_get_le(bytes + end + 16, 4);
    if (entries == 0xffff || at == 0xffffffffu)
        return nrxi_fail(env, NRX_E_UNSUPPORTED,
                         "nrx_npz_load: %s: zip64 archive with 65535 entries or 4 GiB and more", who);
    if (at > end || size > end - at)
        return nrxi_fail(env, NRX_E_FORMAT, "nrx_npz_load: %s: zip directory lies outside the file", who);
    for (i = 0;; i++) {
        if (i == entries && name)
            return nrxi_fail(env, NRX_E_ARG, "nrx_npz_load: %s: no entry '%s' among %zu", who, name, entries);
        if (i == entries)
            return nrxi_fail(env, NRX_E_ARG, "nrx_npz_load: %s: no entry %zu among %zu", who, index, entries);
        rec = bytes + at;
        if (end - at < 46 || memcmp(rec, "PK\001\002", 4) != 0)
            return nrxi_fail(env, NRX_E_FORMAT, "nrx_npz_load: %s: zip directory record %zu is malformed",
                             who, i);
        name_size = (size_t)nrxi_get_le(rec + 28, 2);
        extra_size = (size_t)nrxi_get_le(rec + 30, 2);
        size = 46 + name_size + extra_size + (size_t)nrxi_get_le(rec + 32, 2);
        if (size > end - at)
            return nrxi_fail(env, NRX_E_FORMAT, "nrx_npz_load: %s: zip directory is truncated", who);
        if (name ? nrxi_npz_same(name, (const char *)rec + 46, name_size) : i == index) break;
        at += size;
    }
    entry->name = (const char *)rec + 46;
    entry->name_size = name_size;
    if (nrxi_get_le(rec + 8, 2) & 1u)
        return nrxi_fail(env, NRX_E_UNSUPPORTED, "nrx_npz_load: %s: entry %zu is encrypted", who, i);
    if (nrxi_get_le(rec + 10, 2) != 0)
        return nrxi_fail(env, NRX_E_UNSUPPORTED,
                         "nrx_npz_load: %s: entry %zu is compressed (method %d); write it with numpy.savez",
                         who, i, (int)nrxi_get_le(rec + 10, 2));
    if (!nrxi_zip_sizes(rec, rec + 46 + name_size, extra_size, value) || value[0] != value[1]
        || value[2] > end || end - value[2] < 30 || memcmp(bytes + (size_t)value[2], "PK\003\004", 4) != 0)
        return nrxi_fail(env, NRX_E_FORMAT, "nrx_npz_load: %s: entry %zu has wrong sizes or no local header",
                         who, i);
    start = (size_t)value[2];
    size = 30 + (size_t)nrxi_get_le(bytes + start + 26, 2) + (size_t)nrxi_get_le(bytes + start + 28, 2);
    if (size > end - start || value[0] > end - start - size)
        return nrxi_fail(env, NRX_E_FORMAT, "nrx_npz_load: %s: entry %zu is truncated", who, i);
    entry->bytes = bytes + start + size;
    entry->n = (size_t)value[0];
    if (nrxi_crc32(0, entry->bytes, entry->n) != nrxi_get_le(rec + 16, 4))
        return nrxi_fail(env, NRX_E_FORMAT, "nrx_npz_load: %s: entry %zu fails its CRC-32", who, i);
    return NRX_OK;
}

/* Local header (signature PK34, at 0) or directory record (signature PK12, offset given) of a stored file;
   returns the end. */
NRXI_FN unsigned char *nrxi_zip_record(unsigned char *p, int directory, const char *name, uint32_t crc,
                                       size_t size, size_t offset)
{
    size_t n = strlen(name) + 4;
    p = nrxi_put_le(p, directory ? 0x02014b50u : 0x04034b50u, 4);
    if (directory) p = nrxi_put_le(p, 20, 2);
    p = nrxi_put_le(p, 20, 2);           /* version needed */
    p = nrxi_put_le(p, 0, 4);            /* flags, method: stored */
    p = nrxi_put_le(p, 0x00210000u, 4);  /* 1980-01-01 00:00: equal input gives equal bytes */
    p = nrxi_put_le(p, crc, 4);
    p = nrxi_put_le(p, size, 4);
    p = nrxi_put_le(p, size, 4);
    p = nrxi_put_le(p, n, 2);
    p = nrxi_put_le(p, 0, 2);            /* no extra field */
    if (directory) {
        p = nrxi_put_le(p, 0, 8); /* comment size, disk, internal attributes, low half of the external ones */
        p = nrxi_put_le(p, 0, 2);
        p = nrxi_put_le(p, offset, 4);
    }
    memcpy(p, name, n - 4);
    memcpy(p + n - 4, ".npy", 4);
    return p + n;
}

NRXI_FN nrx_status nrxi_npz_encode(const nrx_npz_item *items, size_t count, unsigned char **bytes, size_t *n,
                                   const nrx_env *env)
{
    unsigned char head[NRXI_NPY_HEAD], *p, *dir;
    size_t i, total = 22, directory = 0, size, head_size, name;
    *bytes = NULL;
    for (i = 0; i < count; i++) {
        head_size = nrxi_npy_head(items[i].dtype, items[i].shape, items[i].ndim, head, &size);
        name = strlen(items[i].name) + 4;
        if (!head_size || name > 65535)
            return nrxi_fail(env, NRX_E_ARG, "nrx_npz_save: item %zu ('%s') cannot be written", i,
                             items[i].name);
        if (!nrxi_add_ok(total, size, &total) || !nrxi_add_ok(total, head_size + 76 + 2 * name, &total))
            break;
        directory += 46 + name;
    }
    if (i < count || count > 65534 || total > 0xfffffffeu)
        return nrxi_fail(env, NRX_E_RANGE, "nrx_npz_save: %zu items exceed 65534 or 4 GiB", count);
    *bytes = p = (unsigned char *)nrxi_alloc(env, total, 1);
    if (!p) return nrxi_fail(env, NRX_E_NOMEM, "nrx_npz_save: no memory for %zu bytes", total);
    dir = p + (total - 22 - directory);
    for (i = 0; i < count; i++) {
        size_t offset = (size_t)(p - *bytes);
        uint32_t crc;
        head_size = nrxi_npy_head(items[i].dtype, items[i].shape, items[i].ndim, head, &size);
        crc = nrxi_crc32(nrxi_crc32(0, head, head_size), (const unsigned char *)items[i].data, size);
        p = nrxi_zip_record(p, 0, items[i].name, crc, head_size + size, 0);
        memcpy(p, head, head_size);
        if (size) memcpy(p + head_size, items[i].data, size);
        p += head_size + size;
        dir = nrxi_zip_record(dir, 1, items[i].name, crc, head_size + size, offset);
    }
    p = nrxi_put_le(dir, 0x06054b50u, 4);
    p = nrxi_put_le(p, 0, 4);
    p = nrxi_put_le(p, count, 2);
    p = nrxi_put_le(p, count, 2);
    p = nrxi_put_le(p, directory, 4);
    p = nrxi_put_le(p, total - 22 - directory, 4);
    (void)nrxi_put_le(p, 0, 2);
    *n = total;
    return NRX_OK;
}
NRXI_GLUE_END
#elif NRXI_FILES_VERSION != 1664771424
#error "nrx: headers with different versions of the files block are mixed in one translation unit"
#endif
/* <<< nrx files (implementation) */
NRXI_IMPL_END

NRXI_IMPL_BEGIN

NRXI_GLUE_BEGIN

/* ==== kernels on raw arrays: math and gemm ==== */

/* One matrix of a product, `rows` x `cols` with rows ld apart, batch of them stride apart: can it exist? */
NRXI_FN nrx_status nrxi_t_gemm_check(const char *who, char which, size_t elem, const void *p, size_t rows,
                                   size_t cols, size_t ld, size_t batch, size_t stride)
{
    size_t span, more;
    if (rows == 0 || cols == 0 || batch == 0) return NRX_OK;
    if (!p) return nrxi_fail(NULL, NRX_E_ARG, "%s: %c is NULL, %zux%zu expected", who, which, rows, cols);
    if (ld < cols)
        return nrxi_fail(NULL, NRX_E_ARG, "%s: ld%c is %zu, rows of %c as stored have %zu entries", who,
                         which, ld, which, cols);
    if (!nrxi_mul_ok(rows - 1, ld, &span) || !nrxi_mul_ok(batch - 1, stride, &more) ||
        !nrxi_add_ok(span, cols, &span) || !nrxi_add_ok(span, more, &span) ||
        !nrxi_mul_ok(span, elem, &span) || span > (size_t)-1 / 2)
        return nrxi_fail(NULL, NRX_E_RANGE, "%s: %c, %zux%zu with ld%c %zu, is larger than memory", who,
                         which, rows, cols, which, ld);
    return NRX_OK;
}

/* 0 or 1; CBLAS's numbers too; else -1 */
NRXI_FN int nrxi_t_gemm_flag(int t) { return t == 0 || t == 111 ? 0 : t == 1 || t == 112 ? 1 : -1; }

/* >>> twin f64 */
NRXI_FN nrx_status nrxi_t_gemm_call_checked_f64(const char *who, int ta, int tb, size_t m, size_t n, size_t k,
                                              double alpha, const double *a, size_t lda, size_t sa,
                                              const double *b, size_t ldb, size_t sb, double beta, double *c,
                                              size_t ldc, size_t sc, size_t batch)
{
    nrx_status status;
    double *work = NULL;
    size_t size;
    ta = nrxi_t_gemm_flag(ta);
    tb = nrxi_t_gemm_flag(tb);
    if (ta < 0) return nrxi_fail(NULL, NRX_E_ARG, "%s: ta must be 0 or 1", who);
    if (tb < 0) return nrxi_fail(NULL, NRX_E_ARG, "%s: tb must be 0 or 1", who);
    if (m == 0 || n == 0 || batch == 0) return NRX_OK;
    if (alpha != 0 && k != 0) {
        status = nrxi_t_gemm_check(who, 'a', sizeof *a, a, ta ? k : m, ta ? m : k, lda, batch, sa);
        if (status == NRX_OK)
            status = nrxi_t_gemm_check(who, 'b', sizeof *b, b, tb ? n : k, tb ? k : n, ldb, batch, sb);
        if (status != NRX_OK) return status;
    }
    status = nrxi_t_gemm_check(who, 'c', sizeof *c, c, m, n, ldc, batch, sc);
    if (status != NRX_OK) return status;
    if (batch > 1 && sc == 0)
        return nrxi_fail(NULL, NRX_E_ARG, "%s: stride_c is 0, %zu products need as many matrices", who,
                         batch);
    size = nrxi_gemm_work_f64(m, n, k);
    if (size) work = (double *)nrxi_alloc(NULL, size, sizeof *work); /* NULL: slower, as right */
    if (batch == 1) nrxi_gemm_f64(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, work, NULL);
    else
        nrxi_gemm_batch_f64(ta, tb, m, n, k, alpha, a, lda, sa, b, ldb, sb, beta, c, ldc, sc, batch, work,
                            NULL);
    nrxi_free(NULL, work);
    return NRX_OK;
}

NRX_DEF nrx_status nrx_gemm_f64(int ta, int tb, size_t m, size_t n, size_t k, double alpha, const double *a,
                                size_t lda, const double *b, size_t ldb, double beta, double *c, size_t ldc)
{
    return nrxi_t_gemm_call_checked_f64("nrx_gemm_f64", ta, tb, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c,
                                      ldc, 0, 1);
}

NRX_DEF nrx_status nrx_gemm_batch_f64(int ta, int tb, size_t m, size_t n, size_t k, double alpha,
                                      const double *a, size_t lda, size_t stride_a, const double *b,
                                      size_t ldb, size_t stride_b, double beta, double *c, size_t ldc,
                                      size_t stride_c, size_t batch)
{
    return nrxi_t_gemm_call_checked_f64("nrx_gemm_batch_f64", ta, tb, m, n, k, alpha, a, lda, stride_a, b,
                                        ldb, stride_b, beta, c, ldc, stride_c, batch);
}

#define NRXI_T_VPUBLIC_F64(fn)                                                                               \
    NRX_DEF nrx_status nrx_v##fn##_f64(size_t n, const double *x, double *y)                                 \
    {                                                                                                        \
        if (n > 0 && (!x || !y))                                                                             \
            return nrxi_fail(NULL, NRX_E_ARG, "nrx_v" #fn "_f64: %c is NULL", x ? 'y' : 'x');                \
        nrxi_v##fn##_f64(n, x, y);                                                                           \
        return NRX_OK;                                                                                       \
    }
NRXI_T_VPUBLIC_F64(exp)
NRXI_T_VPUBLIC_F64(expm1)
NRXI_T_VPUBLIC_F64(log)
NRXI_T_VPUBLIC_F64(log1p)
NRXI_T_VPUBLIC_F64(tanh)
NRXI_T_VPUBLIC_F64(sigmoid)
NRXI_T_VPUBLIC_F64(softplus)
NRXI_T_VPUBLIC_F64(erf)
NRXI_T_VPUBLIC_F64(sin)
NRXI_T_VPUBLIC_F64(cos)
/* === twin f32 */
NRXI_FN nrx_status nrxi_t_gemm_call_checked_f32(const char *who, int ta, int tb, size_t m, size_t n, size_t k,
                                              float alpha, const float *a, size_t lda, size_t sa,
                                              const float *b, size_t ldb, size_t sb, float beta, float *c,
                                              size_t ldc, size_t sc, size_t batch)
{
    nrx_status status;
    float *work = NULL;
    size_t size;
    ta = nrxi_t_gemm_flag(ta);
    tb = nrxi_t_gemm_flag(tb);
    if (ta < 0) return nrxi_fail(NULL, NRX_E_ARG, "%s: ta must be 0 or 1", who);
    if (tb < 0) return nrxi_fail(NULL, NRX_E_ARG, "%s: tb must be 0 or 1", who);
    if (m == 0 || n == 0 || batch == 0) return NRX_OK;
    if (alpha != 0 && k != 0) {
        status = nrxi_t_gemm_check(who, 'a', sizeof *a, a, ta ? k : m, ta ? m : k, lda, batch, sa);
        if (status == NRX_OK)
            status = nrxi_t_gemm_check(who, 'b', sizeof *b, b, tb ? n : k, tb ? k : n, ldb, batch, sb);
        if (status != NRX_OK) return status;
    }
    status = nrxi_t_gemm_check(who, 'c', sizeof *c, c, m, n, ldc, batch, sc);
    if (status != NRX_OK) return status;
    if (batch > 1 && sc == 0)
        return nrxi_fail(NULL, NRX_E_ARG, "%s: stride_c is 0, %zu products need as many matrices", who,
                         batch);
    size = nrxi_gemm_work_f32(m, n, k);
    if (size) work = (float *)nrxi_alloc(NULL, size, sizeof *work); /* NULL: slower, as right */
    if (batch == 1) nrxi_gemm_f32(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, work, NULL);
    else
        nrxi_gemm_batch_f32(ta, tb, m, n, k, alpha, a, lda, sa, b, ldb, sb, beta, c, ldc, sc, batch, work,
                            NULL);
    nrxi_free(NULL, work);
    return NRX_OK;
}

NRX_DEF nrx_status nrx_gemm_f32(int ta, int tb, size_t m, size_t n, size_t k, float alpha, const float *a,
                                size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc)
{
    return nrxi_t_gemm_call_checked_f32("nrx_gemm_f32", ta, tb, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c,
                                      ldc, 0, 1);
}

NRX_DEF nrx_status nrx_gemm_batch_f32(int ta, int tb, size_t m, size_t n, size_t k, float alpha,
                                      const float *a, size_t lda, size_t stride_a, const float *b,
                                      size_t ldb, size_t stride_b, float beta, float *c, size_t ldc,
                                      size_t stride_c, size_t batch)
{
    return nrxi_t_gemm_call_checked_f32("nrx_gemm_batch_f32", ta, tb, m, n, k, alpha, a, lda, stride_a, b,
                                        ldb, stride_b, beta, c, ldc, stride_c, batch);
}

#define NRXI_T_VPUBLIC_F32(fn)                                                                               \
    NRX_DEF nrx_status nrx_v##fn##_f32(size_t n, const float *x, float *y)                                 \
    {                                                                                                        \
        if (n > 0 && (!x || !y))                                                                             \
            return nrxi_fail(NULL, NRX_E_ARG, "nrx_v" #fn "_f32: %c is NULL", x ? 'y' : 'x');                \
        nrxi_v##fn##_f32(n, x, y);                                                                           \
        return NRX_OK;                                                                                       \
    }
NRXI_T_VPUBLIC_F32(exp)
NRXI_T_VPUBLIC_F32(expm1)
NRXI_T_VPUBLIC_F32(log)
NRXI_T_VPUBLIC_F32(log1p)
NRXI_T_VPUBLIC_F32(tanh)
NRXI_T_VPUBLIC_F32(sigmoid)
NRXI_T_VPUBLIC_F32(softplus)
NRXI_T_VPUBLIC_F32(erf)
NRXI_T_VPUBLIC_F32(sin)
NRXI_T_VPUBLIC_F32(cos)
/* <<< twin */

NRXI_GLUE_END

/* ==== kernels on raw arrays: fft, linalg, files ==== */

struct nrx_fft {
    nrx_fft_desc d;          /* with the defaults filled in */
    size_t points, half;     /* points of one array; last axis of what is computed on the complex side */
    size_t in_size, out_size;/* elements of one array on either side */
    double scale[2];         /* forward, inverse */
    nrxi_fft_f64 f64[8];     /* one per axis; the other precision is empty */
    nrxi_fft_f32 f32[8];
    size_t work;             /* elements of the workspace behind the intermediate array */
};

/* Columns that are transformed together along an axis of length n: enough to fill vectors and lines, few
   enough for the cache. */
NRXI_FN size_t nrxi_t_fft_block(size_t n, size_t inner)
{
    size_t block = 8;
    while (block < 64 && 2 * block * n <= 16384) block *= 2;
    return block < inner ? block : inner;
}

/* >>> twin f64 */
NRXI_FN void nrxi_t_fft_scale_f64(double *x, size_t n, double f)
{
    size_t i;
    if (f == (double)1) return;
    for (i = 0; i < n; i++) x[i] *= f;
}

/* Axis `axis` of a complex array of the given (complex side) shape, from in to out, contiguous. */
NRXI_FN void nrxi_t_fft_axis_f64(const nrx_fft *p, int axis, int inverse, const double *in, double *out,
                               double *work)
{
    size_t outer = 1, inner = 1, n = p->d.shape[axis], i, c, block;
    const nrxi_fft_f64 *plan = &p->f64[axis];
    int k;
    for (k = 0; k < axis; k++) outer *= p->d.shape[k];
    for (k = axis + 1; k < p->d.ndim; k++) inner *= k == p->d.ndim - 1 ? p->half : p->d.shape[k];
    block = nrxi_t_fft_block(n, inner);
    for (i = 0; i < outer; i++, in += 2 * n * inner, out += 2 * n * inner) {
        if (inner == 1) { nrxi_fft_run_f64(plan, inverse, in, out, work); continue; }
        for (c = 0; c < inner; c += block)
            nrxi_fft_columns_f64(plan, inverse, inner - c < block ? inner - c : block, in + 2 * c, inner,
                                 out + 2 * c, inner, work);
    }
}

/* Full spectrum of reals from the half spectrum: X(-k) = conj X(k) over all axes. half may be the start of
   full when there is one row. */
NRXI_FN void nrxi_t_fft_fill_f64(const nrx_fft *p, const double *half, double *full)
{
    size_t index[8] = { 0, 0, 0, 0, 0, 0, 0, 0 }, n = p->d.shape[p->d.ndim - 1], h = n / 2 + 1,
           rows = p->points / n, r, k, mirror, pitch;
    int axis;
    for (r = 0; r < rows; r++, full += 2 * n) {
        const double *from;
        if (full != half + 2 * r * h) memcpy(full, half + 2 * r * h, 2 * h * sizeof *full);
        for (mirror = 0, pitch = 1, axis = p->d.ndim - 2; axis >= 0; axis--) {
            mirror += (p->d.shape[axis] - index[axis]) % p->d.shape[axis] * pitch;
            pitch *= p->d.shape[axis];
        }
        from = half + 2 * mirror * h;
        for (k = h; k < n; k++) {
            full[2 * k] = from[2 * (n - k)];
            full[2 * k + 1] = -from[2 * (n - k) + 1];
        }
        for (axis = p->d.ndim - 2; axis >= 0 && ++index[axis] == p->d.shape[axis]; axis--) index[axis] = 0;
    }
}

/* One contiguous array of the plan; mid: room for the complex array. */
NRXI_FN void nrxi_t_fft_array_f64(const nrx_fft *p, int inverse, const double *in, double *out, double *mid,
                                double *work)
{
    int axis, last = p->d.ndim - 1;
    size_t rows = p->points / p->d.shape[last], n = p->d.shape[last], i;
    if (!p->d.real) {
        for (axis = last; axis >= 0; axis--) {
            nrxi_t_fft_axis_f64(p, axis, inverse, in, out, work);
            in = out;
        }
        nrxi_t_fft_scale_f64(out, 2 * p->points, (double)p->scale[inverse]);
    } else if (!inverse) {
        double *y = p->d.real == 2 && last > 0 ? mid : out;
        for (i = 0; i < rows; i++) nrxi_rfft_run_f64(&p->f64[last], in + i * n, y + 2 * i * p->half, work);
        for (axis = last - 1; axis >= 0; axis--) nrxi_t_fft_axis_f64(p, axis, 0, y, y, work);
        nrxi_t_fft_scale_f64(y, 2 * rows * p->half, (double)p->scale[0]);
        if (p->d.real == 2) nrxi_t_fft_fill_f64(p, y, out);
    } else {
        size_t pitch = p->d.real == 2 ? n : p->half;
        if (last > 0 && pitch != p->half) {
            for (i = 0; i < rows; i++)
                memcpy(mid + 2 * i * p->half, in + 2 * i * pitch, 2 * p->half * sizeof *mid);
            in = mid;
        }
        for (axis = last - 1; axis >= 0; axis--) {
            nrxi_t_fft_axis_f64(p, axis, 1, in, mid, work);
            in = mid;
        }
        for (i = 0; i < rows; i++) nrxi_irfft_run_f64(&p->f64[last], in + 2 * i * p->half, out + i * n, work);
        nrxi_t_fft_scale_f64(out, p->points, (double)p->scale[1]);
    }
}

/* One axis with strides: gathers, transforms, scatters. Elements of a side have 1 (real) or 2 (complex)
   numbers. */
NRXI_FN void nrxi_t_fft_strided_f64(const nrx_fft *p, int inverse, const double *in, size_t is, double *out,
                                  size_t os, double *mid, double *work)
{
    size_t ic = p->d.real && !inverse ? 1 : 2, oc = p->d.real && inverse ? 1 : 2, i;
    size_t ni = inverse ? p->out_size : p->in_size, no = inverse ? p->in_size : p->out_size;
    double *x = mid, *y = mid + 2 * p->points + 2;
    for (i = 0; i < ni; i++) {
        x[ic * i] = in[ic * is * i];
        if (ic == 2) x[2 * i + 1] = in[2 * is * i + 1];
    }
    nrxi_t_fft_array_f64(p, inverse, x, y, NULL, work);
    for (i = 0; i < no; i++) {
        out[oc * os * i] = y[oc * i];
        if (oc == 2) out[2 * os * i + 1] = y[2 * i + 1];
    }
}

NRXI_FN void nrxi_t_fft_all_f64(const nrx_fft *p, int inverse, const double *in, double *out, double *mid,
                              double *work)
{
    size_t id = inverse ? p->d.out_distance : p->d.in_distance,
           od = inverse ? p->d.in_distance : p->d.out_distance;
    size_t is = inverse ? p->d.out_stride : p->d.in_stride, os = inverse ? p->d.in_stride : p->d.out_stride;
    size_t ic = p->d.real && !inverse ? 1 : 2, oc = p->d.real && inverse ? 1 : 2, b, c, block,
           n = p->d.shape[0];
    if (p->d.ndim == 1 && !p->d.real && id == 1 && od == 1) { /* side by side: no gathering needed */
        block = nrxi_t_fft_block(n, p->d.batch);
        for (b = 0; b < p->d.batch; b += block) {
            size_t count = p->d.batch - b < block ? p->d.batch - b : block;
            nrxi_fft_columns_f64(&p->f64[0], inverse, count, in + 2 * b, is, out + 2 * b, os, work);
            for (c = 0; c < n; c++)
                nrxi_t_fft_scale_f64(out + 2 * (c * os + b), 2 * count, (double)p->scale[inverse]);
        }
        return;
    }
    for (b = 0; b < p->d.batch; b++, in += ic * id, out += oc * od) {
        if (is == 1 && os == 1) nrxi_t_fft_array_f64(p, inverse, in, out, mid, work);
        else nrxi_t_fft_strided_f64(p, inverse, in, is, out, os, mid, work);
    }
}
/* === twin f32 */
NRXI_FN void nrxi_t_fft_scale_f32(float *x, size_t n, float f)
{
    size_t i;
    if (f == (float)1) return;
    for (i = 0; i < n; i++) x[i] *= f;
}

/* Axis `axis` of a complex array of the given (complex side) shape, from in to out, contiguous. */
NRXI_FN void nrxi_t_fft_axis_f32(const nrx_fft *p, int axis, int inverse, const float *in, float *out,
                               float *work)
{
    size_t outer = 1, inner = 1, n = p->d.shape[axis], i, c, block;
    const nrxi_fft_f32 *plan = &p->f32[axis];
    int k;
    for (k = 0; k < axis; k++) outer *= p->d.shape[k];
    for (k = axis + 1; k < p->d.ndim; k++) inner *= k == p->d.ndim - 1 ? p->half : p->d.shape[k];
    block = nrxi_t_fft_block(n, inner);
    for (i = 0; i < outer; i++, in += 2 * n * inner, out += 2 * n * inner) {
        if (inner == 1) { nrxi_fft_run_f32(plan, inverse, in, out, work); continue; }
        for (c = 0; c < inner; c += block)
            nrxi_fft_columns_f32(plan, inverse, inner - c < block ? inner - c : block, in + 2 * c, inner,
                                 out + 2 * c, inner, work);
    }
}

/* Full spectrum of reals from the half spectrum: X(-k) = conj X(k) over all axes. half may be the start of
   full when there is one row. */
NRXI_FN void nrxi_t_fft_fill_f32(const nrx_fft *p, const float *half, float *full)
{
    size_t index[8] = { 0, 0, 0, 0, 0, 0, 0, 0 }, n = p->d.shape[p->d.ndim - 1], h = n / 2 + 1,
           rows = p->points / n, r, k, mirror, pitch;
    int axis;
    for (r = 0; r < rows; r++, full += 2 * n) {
        const float *from;
        if (full != half + 2 * r * h) memcpy(full, half + 2 * r * h, 2 * h * sizeof *full);
        for (mirror = 0, pitch = 1, axis = p->d.ndim - 2; axis >= 0; axis--) {
            mirror += (p->d.shape[axis] - index[axis]) % p->d.shape[axis] * pitch;
            pitch *= p->d.shape[axis];
        }
        from = half + 2 * mirror * h;
        for (k = h; k < n; k++) {
            full[2 * k] = from[2 * (n - k)];
            full[2 * k + 1] = -from[2 * (n - k) + 1];
        }
        for (axis = p->d.ndim - 2; axis >= 0 && ++index[axis] == p->d.shape[axis]; axis--) index[axis] = 0;
    }
}

/* One contiguous array of the plan; mid: room for the complex array. */
NRXI_FN void nrxi_t_fft_array_f32(const nrx_fft *p, int inverse, const float *in, float *out, float *mid,
                                float *work)
{
    int axis, last = p->d.ndim - 1;
    size_t rows = p->points / p->d.shape[last], n = p->d.shape[last], i;
    if (!p->d.real) {
        for (axis = last; axis >= 0; axis--) {
            nrxi_t_fft_axis_f32(p, axis, inverse, in, out, work);
            in = out;
        }
        nrxi_t_fft_scale_f32(out, 2 * p->points, (float)p->scale[inverse]);
    } else if (!inverse) {
        float *y = p->d.real == 2 && last > 0 ? mid : out;
        for (i = 0; i < rows; i++) nrxi_rfft_run_f32(&p->f32[last], in + i * n, y + 2 * i * p->half, work);
        for (axis = last - 1; axis >= 0; axis--) nrxi_t_fft_axis_f32(p, axis, 0, y, y, work);
        nrxi_t_fft_scale_f32(y, 2 * rows * p->half, (float)p->scale[0]);
        if (p->d.real == 2) nrxi_t_fft_fill_f32(p, y, out);
    } else {
        size_t pitch = p->d.real == 2 ? n : p->half;
        if (last > 0 && pitch != p->half) {
            for (i = 0; i < rows; i++)
                memcpy(mid + 2 * i * p->half, in + 2 * i * pitch, 2 * p->half * sizeof *mid);
            in = mid;
        }
        for (axis = last - 1; axis >= 0; axis--) {
            nrxi_t_fft_axis_f32(p, axis, 1, in, mid, work);
            in = mid;
        }
        for (i = 0; i < rows; i++) nrxi_irfft_run_f32(&p->f32[last], in + 2 * i * p->half, out + i * n, work);
        nrxi_t_fft_scale_f32(out, p->points, (float)p->scale[1]);
    }
}

/* One axis with strides: gathers, transforms, scatters. Elements of a side have 1 (real) or 2 (complex)
   numbers. */
NRXI_FN void nrxi_t_fft_strided_f32(const nrx_fft *p, int inverse, const float *in, size_t is, float *out,
                                  size_t os, float *mid, float *work)
{
    size_t ic = p->d.real && !inverse ? 1 : 2, oc = p->d.real && inverse ? 1 : 2, i;
    size_t ni = inverse ? p->out_size : p->in_size, no = inverse ? p->in_size : p->out_size;
    float *x = mid, *y = mid + 2 * p->points + 2;
    for (i = 0; i < ni; i++) {
        x[ic * i] = in[ic * is * i];
        if (ic == 2) x[2 * i + 1] = in[2 * is * i + 1];
    }
    nrxi_t_fft_array_f32(p, inverse, x, y, NULL, work);
    for (i = 0; i < no; i++) {
        out[oc * os * i] = y[oc * i];
        if (oc == 2) out[2 * os * i + 1] = y[2 * i + 1];
    }
}

NRXI_FN void nrxi_t_fft_all_f32(const nrx_fft *p, int inverse, const float *in, float *out, float *mid,
                              float *work)
{
    size_t id = inverse ? p->d.out_distance : p->d.in_distance,
           od = inverse ? p->d.in_distance : p->d.out_distance;
    size_t is = inverse ? p->d.out_stride : p->d.in_stride, os = inverse ? p->d.in_stride : p->d.out_stride;
    size_t ic = p->d.real && !inverse ? 1 : 2, oc = p->d.real && inverse ? 1 : 2, b, c, block,
           n = p->d.shape[0];
    if (p->d.ndim == 1 && !p->d.real && id == 1 && od == 1) { /* side by side: no gathering needed */
        block = nrxi_t_fft_block(n, p->d.batch);
        for (b = 0; b < p->d.batch; b += block) {
            size_t count = p->d.batch - b < block ? p->d.batch - b : block;
            nrxi_fft_columns_f32(&p->f32[0], inverse, count, in + 2 * b, is, out + 2 * b, os, work);
            for (c = 0; c < n; c++)
                nrxi_t_fft_scale_f32(out + 2 * (c * os + b), 2 * count, (float)p->scale[inverse]);
        }
        return;
    }
    for (b = 0; b < p->d.batch; b++, in += ic * id, out += oc * od) {
        if (is == 1 && os == 1) nrxi_t_fft_array_f32(p, inverse, in, out, mid, work);
        else nrxi_t_fft_strided_f32(p, inverse, in, is, out, os, mid, work);
    }
}
/* <<< twin */

NRX_DEF void nrx_fft_destroy(nrx_fft *plan)
{
    nrx_env env;
    int i;
    if (!plan) return;
    env = plan->d.env;
    for (i = 0; i < 8; i++) {
        nrxi_fft_drop_f64(&plan->f64[i]);
        nrxi_fft_drop_f32(&plan->f32[i]);
    }
    nrxi_free(&env, plan);
}

/* Fills in defaults and sizes; all products of sizes are known to fit afterwards. */
NRXI_FN nrx_status nrxi_t_fft_layout(nrx_fft *p, const nrx_env *env)
{
    nrx_fft_desc *d = &p->d;
    size_t all = 32, last;
    int i;
    if (d->ndim == 0) d->ndim = 1;
    if (d->ndim < 0 || d->ndim > 8)
        return nrxi_fail(env, NRX_E_ARG, "nrx_fft_create: %d axes, allowed are 1 to 8", d->ndim);
    if (d->dtype != NRX_F32 && d->dtype != NRX_F64)
        return nrxi_fail(env, NRX_E_ARG, "nrx_fft_create: dtype %d is neither NRX_F32 nor NRX_F64", d->dtype);
    if (d->norm < 0 || d->norm > 2)
        return nrxi_fail(env, NRX_E_ARG, "nrx_fft_create: norm %d is not one of NRX_FFT_...", d->norm);
    if (d->real < 0 || d->real > 2)
        return nrxi_fail(env, NRX_E_ARG, "nrx_fft_create: real %d is not 0, 1 or 2", d->real);
    p->points = 1;
    for (i = 0; i < d->ndim; i++) {
        if (d->shape[i] == 0) return nrxi_fail(env, NRX_E_ARG, "nrx_fft_create: axis %d has length 0", i);
        p->points *= d->shape[i];
        if (!nrxi_mul_ok(all, d->shape[i] + 1, &all))
            return nrxi_fail(env, NRX_E_RANGE, "nrx_fft_create: shape overflows at axis %d of length %zu", i,
                             d->shape[i]);
    }
    last = d->shape[d->ndim - 1];
    p->half = d->real ? last / 2 + 1 : last;
    p->in_size = p->points;
    p->out_size = d->real == 2 ? p->points : p->points / last * p->half;
    if (d->batch == 0) d->batch = 1;
    if (d->in_stride == 0) d->in_stride = 1;
    if (d->out_stride == 0) d->out_stride = 1;
    if ((d->in_stride != 1 || d->out_stride != 1) && d->ndim > 1)
        return nrxi_fail(env, NRX_E_ARG, "nrx_fft_create: strides %zu, %zu with %d axes; they need one axis",
                         d->in_stride, d->out_stride, d->ndim);
    if (d->in_distance == 0) d->in_distance = d->in_stride == 1 ? p->in_size : 1;
    if (d->out_distance == 0) d->out_distance = d->out_stride == 1 ? p->out_size : 1;
    if (!nrxi_mul_ok(all, d->batch, &all))
        return nrxi_fail(env, NRX_E_RANGE, "nrx_fft_create: %zu arrays overflow", d->batch);
    p->scale[0] = d->norm == NRX_FFT_ORTHO ? 1.0 / sqrt((double)p->points) : 1.0;
    p->scale[1] = d->norm == NRX_FFT_BACKWARD ? 1.0 / (double)p->points : p->scale[0];
    return NRX_OK;
}

NRX_DEF nrx_status nrx_fft_create(nrx_fft **plan, const nrx_fft_desc *desc)
{
    nrx_fft *p;
    nrx_status status;
    int i;
    if (!plan) return nrxi_fail(NULL, NRX_E_ARG, "nrx_fft_create: plan is NULL");
    *plan = NULL;
    if (!desc) return nrxi_fail(NULL, NRX_E_ARG, "nrx_fft_create: desc is NULL");
    p = (nrx_fft *)nrxi_calloc(&desc->env, 1, sizeof *p);
    if (!p) return nrxi_fail(&desc->env, NRX_E_NOMEM, "nrx_fft_create: no memory for a plan");
    p->d = *desc;
    status = nrxi_t_fft_layout(p, &desc->env);
    for (i = 0; status == NRX_OK && i < p->d.ndim; i++) {
        size_t inner = 1, n = p->d.shape[i], work;
        int k;
        for (k = i + 1; k < p->d.ndim; k++) inner *= p->d.shape[k];
        if (p->d.ndim == 1) inner = p->d.batch;
        inner = nrxi_t_fft_block(n, inner);
        if (p->d.dtype == NRX_F32) {
            status = nrxi_fft_plan_f32(&p->f32[i], n, &desc->env);
            work = status == NRX_OK ? nrxi_fft_columns_work_f32(&p->f32[i], inner) : 0;
        } else {
            status = nrxi_fft_plan_f64(&p->f64[i], n, &desc->env);
            work = status == NRX_OK ? nrxi_fft_columns_work_f64(&p->f64[i], inner) : 0;
        }
        if (work > p->work) p->work = work;
    }
    if (status == NRX_OK) *plan = p;
    else nrx_fft_destroy(p);
    return status;
}

/* Elements of the intermediate array in front of the workspace: a complex array, or the gathered input and
   output. */
NRXI_FN size_t nrxi_t_fft_mid(const nrx_fft *p)
{
    if (p->d.in_stride != 1 || p->d.out_stride != 1) return (4 * p->points + 4 + 15) & ~(size_t)15;
    return p->d.real && p->d.ndim > 1 ? (2 * p->out_size + 15) & ~(size_t)15 : 0;
}

NRX_DEF size_t nrx_fft_workspace_size(const nrx_fft *plan)
{
    return plan ? (nrxi_t_fft_mid(plan) + plan->work) * nrxi_dtype_size(plan->d.dtype) : 0;
}

NRXI_FN nrx_status nrxi_t_fft_execute(const nrx_fft *plan, int inverse, const void *in, void *out, void *work,
                                    const char *who)
{
    void *own = NULL;
    if (!plan || !in || !out)
        return nrxi_fail(plan ? &plan->d.env : NULL, NRX_E_ARG, "%s: %s is NULL", who,
                         !plan ? "plan"
                         : !in ? "in"
                               : "out");
    if (!work) work = own = nrxi_alloc(&plan->d.env, nrx_fft_workspace_size(plan), 1);
    if (!work)
        return nrxi_fail(&plan->d.env, NRX_E_NOMEM, "%s: no memory for %zu bytes", who,
                         nrx_fft_workspace_size(plan));
    if (plan->d.dtype == NRX_F32)
        nrxi_t_fft_all_f32(plan, inverse, (const float *)in, (float *)out, (float *)work,
                         (float *)work + nrxi_t_fft_mid(plan));
    else
        nrxi_t_fft_all_f64(plan, inverse, (const double *)in, (double *)out, (double *)work,
                         (double *)work + nrxi_t_fft_mid(plan));
    nrxi_free(&plan->d.env, own);
    return NRX_OK;
}

NRX_DEF nrx_status nrx_fft_forward(const nrx_fft *plan, const void *in, void *out, void *work)
{
    return nrxi_t_fft_execute(plan, 0, in, out, work, "nrx_fft_forward");
}

NRX_DEF nrx_status nrx_fft_inverse(const nrx_fft *plan, const void *in, void *out, void *work)
{
    return nrxi_t_fft_execute(plan, 1, in, out, work, "nrx_fft_inverse");
}

NRX_DEF size_t nrx_fft_good_size(size_t n) { return n > (size_t)-1 / 64 ? n : nrxi_fft_good(n); }

NRXI_FN nrx_status nrxi_t_fft_once(int dtype, int real, int inverse, size_t n, const void *in, void *out)
{
    nrx_fft_desc desc = NRX_ZERO;
    nrx_fft *plan;
    nrx_status status;
    desc.dtype = dtype;
    desc.real = real;
    desc.ndim = 1;
    desc.shape[0] = n;
    status = nrx_fft_create(&plan, &desc);
    if (status != NRX_OK) return status;
    status = inverse ? nrx_fft_inverse(plan, in, out, NULL) : nrx_fft_forward(plan, in, out, NULL);
    nrx_fft_destroy(plan);
    return status;
}

/* >>> twin f64 */
NRX_DEF nrx_status nrx_fft_f64(int inverse, size_t n, const double *in, double *out)
{
    return nrxi_t_fft_once(NRX_F64, 0, inverse, n, in, out);
}
NRX_DEF nrx_status nrx_rfft_f64(size_t n, const double *in, double *out)
{
    return nrxi_t_fft_once(NRX_F64, 1, 0, n, in, out);
}
NRX_DEF nrx_status nrx_irfft_f64(size_t n, const double *in, double *out)
{
    return nrxi_t_fft_once(NRX_F64, 1, 1, n, in, out);
}
/* === twin f32 */
NRX_DEF nrx_status nrx_fft_f32(int inverse, size_t n, const float *in, float *out)
{
    return nrxi_t_fft_once(NRX_F32, 0, inverse, n, in, out);
}
NRX_DEF nrx_status nrx_rfft_f32(size_t n, const float *in, float *out)
{
    return nrxi_t_fft_once(NRX_F32, 1, 0, n, in, out);
}
NRX_DEF nrx_status nrx_irfft_f32(size_t n, const float *in, float *out)
{
    return nrxi_t_fft_once(NRX_F32, 1, 1, n, in, out);
}
/* <<< twin */

NRXI_GLUE_BEGIN

/* -- linear algebra: every function copies its input to f64, runs the block on it and copies the results out
   -- */

/* Splits one allocation into `count` arrays of size[i] doubles ((size_t)-1 = overflow); p[0] is to be freed.
   */
NRXI_FN nrx_status nrxi_t_la_carve(const char *who, int count, const size_t *size, double **p)
{
    size_t total = 0, padded;
    int i, ok = 1;
    for (i = 0; i < count; i++)
        ok = ok && size[i] < (size_t)-8 && nrxi_add_ok(total, (size[i] + 7) & ~(size_t)7, &total);
    if (!ok) return nrxi_fail(NULL, NRX_E_RANGE, "%s: sizes overflow", who);
    p[0] = (double *)nrxi_alloc(NULL, total, sizeof(double));
    if (!p[0]) return nrxi_fail(NULL, NRX_E_NOMEM, "%s: no memory for %zu numbers of workspace", who, total);
    for (i = 0; i + 1 < count; i++) {
        padded = (size[i] + 7) & ~(size_t)7;
        p[i + 1] = p[i] + padded;
    }
    return NRX_OK;
}

/* A matrix argument: not NULL (unless empty), leading dimension at least its columns, size within reach. */
NRXI_FN nrx_status nrxi_t_la_check(const char *who, const char *name, const void *p, size_t m, size_t n,
                                 size_t ld)
{
    size_t bytes;
    if (m == 0 || n == 0) return NRX_OK;
    if (!p) return nrxi_fail(NULL, NRX_E_ARG, "%s: %s is NULL", who, name);
    if (ld < n)
        return nrxi_fail(NULL, NRX_E_ARG, "%s: leading dimension %zu of %s is less than its %zu columns", who,
                         ld, name, n);
    if (!nrxi_mul_ok(m, ld, &bytes) || !nrxi_mul_ok(bytes, 16, &bytes))
        return nrxi_fail(NULL, NRX_E_RANGE, "%s: %s with %zu rows at a distance of %zu overflows", who, name,
                         m, ld);
    return NRX_OK;
}

NRXI_FN void nrxi_t_la_get(int dtype, size_t m, size_t n, const void *from, size_t ld, double *to)
{
    size_t i, j;
    for (i = 0; n && i < m; i++)
        if (dtype == NRX_F64) memcpy(to + i * n, (const double *)from + i * ld, n * sizeof *to);
        else for (j = 0; j < n; j++) to[i * n + j] = (double)((const float *)from)[i * ld + j];
}

NRXI_FN void nrxi_t_la_put(int dtype, size_t m, size_t n, const double *from, size_t ldf, void *to, size_t ld)
{
    size_t i, j;
    for (i = 0; n && i < m; i++)
        if (dtype == NRX_F64) memcpy((double *)to + i * ld, from + i * ldf, n * sizeof *from);
        else for (j = 0; j < n; j++) ((float *)to)[i * ld + j] = (float)from[i * ldf + j];
}

NRXI_FN nrx_status nrxi_t_la_done(const char *who, nrx_status status, double *arena, const char *what)
{
    nrxi_free(NULL, arena);
    return status == NRX_OK ? status : nrxi_fail(NULL, status, "%s: %s", who, what);
}

#define NRXI_T_LA_TRY(call) do { nrx_status try_ = (call); if (try_ != NRX_OK) return try_; } while (0)

NRXI_FN nrx_status nrxi_t_pub_cholesky(int dtype, const char *who, size_t n, const void *a, size_t lda,
                                       void *l, size_t ldl)
{
    size_t size[1], i, j;
    double *p[1];
    nrx_status status;
    NRXI_T_LA_TRY(nrxi_t_la_check(who, "a", a, n, n, lda));
    NRXI_T_LA_TRY(nrxi_t_la_check(who, "l", l, n, n, ldl));
    size[0] = nrxi_la_count(n, n, 0);
    NRXI_T_LA_TRY(nrxi_t_la_carve(who, 1, size, p));
    nrxi_t_la_get(dtype, n, n, a, lda, p[0]);
    status = nrxi_cholesky(n, p[0], n);
    for (i = 0; i < n; i++)
        for (j = i + 1; j < n; j++) p[0][i * n + j] = 0.0;
    if (status == NRX_OK) nrxi_t_la_put(dtype, n, n, p[0], n, l, ldl);
    return nrxi_t_la_done(who, status, p[0],
                          "the matrix is not positive definite, or holds a NaN or infinity");
}

NRXI_FN nrx_status nrxi_t_pub_lu(int dtype, const char *who, size_t n, const void *a, size_t lda, void *lu,
                               size_t ldlu, size_t *piv)
{
    size_t size[1];
    double *p[1];
    nrx_status status;
    NRXI_T_LA_TRY(nrxi_t_la_check(who, "a", a, n, n, lda));
    NRXI_T_LA_TRY(nrxi_t_la_check(who, "lu", lu, n, n, ldlu));
    if (n && !piv) return nrxi_fail(NULL, NRX_E_ARG, "%s: piv is NULL", who);
    size[0] = nrxi_la_count(n, n, 0);
    NRXI_T_LA_TRY(nrxi_t_la_carve(who, 1, size, p));
    nrxi_t_la_get(dtype, n, n, a, lda, p[0]);
    status = nrxi_lu(n, p[0], n, piv);
    if (status == NRX_OK) nrxi_t_la_put(dtype, n, n, p[0], n, lu, ldlu);
    return nrxi_t_la_done(who, status, p[0], "the matrix is singular, or holds a NaN or infinity");
}

NRXI_FN nrx_status nrxi_t_pub_solve(int dtype, const char *who, size_t n, const void *a, size_t lda,
                                  const void *b, size_t nrhs, void *x)
{
    size_t size[3];
    double *p[3];
    nrx_status status;
    NRXI_T_LA_TRY(nrxi_t_la_check(who, "a", a, n, n, lda));
    NRXI_T_LA_TRY(nrxi_t_la_check(who, "b", b, n, nrhs, nrhs));
    NRXI_T_LA_TRY(nrxi_t_la_check(who, "x", x, n, nrhs, nrhs));
    size[0] = nrxi_la_count(n, n, 0);
    size[1] = nrxi_la_count(n, nrhs, 0);
    size[2] = n;
    NRXI_T_LA_TRY(nrxi_t_la_carve(who, 3, size, p));
    nrxi_t_la_get(dtype, n, n, a, lda, p[0]);
    nrxi_t_la_get(dtype, n, nrhs, b, nrhs, p[1]);
    status = nrxi_lu(n, p[0], n, (size_t *)(void *)p[2]);
    if (status == NRX_OK) status = nrxi_lu_solve(n, p[0], n, (const size_t *)(const void *)p[2], p[1], nrhs);
    if (status == NRX_OK) nrxi_t_la_put(dtype, n, nrhs, p[1], nrhs, x, nrhs);
    return nrxi_t_la_done(who, status, p[0], "the matrix is singular, or holds a NaN or infinity");
}

NRXI_FN nrx_status nrxi_t_pub_trsolve(int dtype, const char *who, int upper, int trans, int unit, size_t n,
                                    const void *a, size_t lda, const void *b, size_t nrhs, void *x)
{
    size_t size[2];
    double *p[2] = {NULL, NULL};
    nrx_status status;
    NRXI_T_LA_TRY(nrxi_t_la_check(who, "a", a, n, n, lda));
    NRXI_T_LA_TRY(nrxi_t_la_check(who, "b", b, n, nrhs, nrhs));
    NRXI_T_LA_TRY(nrxi_t_la_check(who, "x", x, n, nrhs, nrhs));
    size[0] = nrxi_la_count(n, n, 0);
    size[1] = nrxi_la_count(n, nrhs, 0);
    NRXI_T_LA_TRY(nrxi_t_la_carve(who, 2, size, p));
    nrxi_t_la_get(dtype, n, n, a, lda, p[0]);
    nrxi_t_la_get(dtype, n, nrhs, b, nrhs, p[1]);
    status = nrxi_trsolve(upper, trans, unit, n, p[0], n, p[1], nrhs);
    if (status == NRX_OK) nrxi_t_la_put(dtype, n, nrhs, p[1], nrhs, x, nrhs);
    return nrxi_t_la_done(who, status, p[0], "the diagonal holds a zero, a NaN or an infinity");
}

NRXI_FN nrx_status nrxi_t_pub_qr(int dtype, const char *who, size_t m, size_t n, const void *a, size_t lda,
                               void *q, size_t ldq, void *r, size_t ldr, size_t *perm)
{
    size_t size[4], k = m < n ? m : n, i, j;
    double *p[4];
    nrx_status status;
    NRXI_T_LA_TRY(nrxi_t_la_check(who, "a", a, m, n, lda));
    NRXI_T_LA_TRY(nrxi_t_la_check(who, "q", q, m, k, ldq));
    NRXI_T_LA_TRY(nrxi_t_la_check(who, "r", r, k, n, ldr));
    size[0] = nrxi_la_count(m, n, 0);
    size[1] = nrxi_la_count(m, k, 0);
    size[2] = k;
    size[3] = perm ? nrxi_qr_pivot_work(m, n) : nrxi_qr_work(m, n);
    if (size[3] != (size_t)-1 && nrxi_qr_work(m, k) > size[3]) size[3] = nrxi_qr_work(m, k);
    NRXI_T_LA_TRY(nrxi_t_la_carve(who, 4, size, p));
    nrxi_t_la_get(dtype, m, n, a, lda, p[0]);
    status = perm ? nrxi_qr_pivot(m, n, p[0], n, perm, p[2], p[3]) : nrxi_qr(m, n, p[0], n, p[2], p[3]);
    if (status == NRX_OK) status = nrxi_qr_q(m, k, p[0], n, p[2], k, p[1], k, p[3]);
    if (status == NRX_OK) {
        nrxi_t_la_put(dtype, m, k, p[1], k, q, ldq);
        for (i = 0; i < k; i++)
            for (j = 0; j < i; j++) p[0][i * n + j] = 0.0;
        nrxi_t_la_put(dtype, k, n, p[0], n, r, ldr);
    }
    return nrxi_t_la_done(who, status, p[0], "the matrix holds a NaN or infinity");
}

NRXI_FN nrx_status nrxi_t_pub_eigh(int dtype, const char *who, size_t n, const void *a, size_t lda, void *w,
                                 void *v, size_t ldv)
{
    size_t size[3];
    double *p[3];
    nrx_status status;
    NRXI_T_LA_TRY(nrxi_t_la_check(who, "a", a, n, n, lda));
    NRXI_T_LA_TRY(nrxi_t_la_check(who, "w", w, n, 1, 1));
    if (v) NRXI_T_LA_TRY(nrxi_t_la_check(who, "v", v, n, n, ldv));
    size[0] = nrxi_la_count(n, n, 0);
    size[1] = n;
    size[2] = nrxi_eigh_work(n);
    NRXI_T_LA_TRY(nrxi_t_la_carve(who, 3, size, p));
    nrxi_t_la_get(dtype, n, n, a, lda, p[0]);
    status = nrxi_eigh(n, p[0], n, p[1], p[2]);
    if (status == NRX_OK) nrxi_t_la_put(dtype, n, 1, p[1], 1, w, 1);
    if (status == NRX_OK && v) nrxi_t_la_put(dtype, n, n, p[0], n, v, ldv);
    return nrxi_t_la_done(who, status, p[0], "the matrix holds a NaN or infinity");
}

NRXI_FN nrx_status nrxi_t_pub_eig(int dtype, const char *who, size_t n, const void *a, size_t lda, void *w,
                                void *v, size_t ldv)
{
    size_t size[4];
    double *p[4];
    nrx_status status;
    NRXI_T_LA_TRY(nrxi_t_la_check(who, "a", a, n, n, lda));
    NRXI_T_LA_TRY(nrxi_t_la_check(who, "w", w, n, 2, 2));
    if (v) NRXI_T_LA_TRY(nrxi_t_la_check(who, "v", v, n, n, ldv));
    size[0] = nrxi_la_count(n, n, 0);
    size[1] = nrxi_la_count(n, 2, 0);
    size[2] = v && n <= (size_t)-1 / 4 ? nrxi_la_count(2 * n, n, 0) : 0;
    size[3] = nrxi_eig_work(n);
    NRXI_T_LA_TRY(nrxi_t_la_carve(who, 4, size, p));
    nrxi_t_la_get(dtype, n, n, a, lda, p[0]);
    status = nrxi_eig(n, p[0], n, p[1], v ? p[2] : NULL, n, p[3]);
    if (status == NRX_OK) nrxi_t_la_put(dtype, n, 2, p[1], 2, w, 2);
    if (status == NRX_OK && v) nrxi_t_la_put(dtype, n, 2 * n, p[2], 2 * n, v, 2 * ldv);
    return nrxi_t_la_done(who, status, p[0], "the matrix holds a NaN or infinity");
}

NRXI_FN nrx_status nrxi_t_pub_svd(int dtype, const char *who, size_t m, size_t n, const void *a, size_t lda,
                                void *s, void *u, size_t ldu, void *vt, size_t ldvt)
{
    size_t size[5], k = m < n ? m : n;
    int vectors = u || vt;
    double *p[5];
    nrx_status status;
    NRXI_T_LA_TRY(nrxi_t_la_check(who, "a", a, m, n, lda));
    NRXI_T_LA_TRY(nrxi_t_la_check(who, "s", s, k, 1, 1));
    if (vectors) NRXI_T_LA_TRY(nrxi_t_la_check(who, "u", u, m, k, ldu));
    if (vectors) NRXI_T_LA_TRY(nrxi_t_la_check(who, "vt", vt, k, n, ldvt));
    size[0] = nrxi_la_count(m, n, 0);
    size[1] = k;
    size[2] = vectors ? nrxi_la_count(m, k, 0) : 0;
    size[3] = vectors ? nrxi_la_count(k, n, 0) : 0;
    size[4] = nrxi_svd_work(m, n);
    NRXI_T_LA_TRY(nrxi_t_la_carve(who, 5, size, p));
    nrxi_t_la_get(dtype, m, n, a, lda, p[0]);
    status = nrxi_svd(m, n, p[0], n, p[1], vectors ? p[2] : NULL, k, vectors ? p[3] : NULL, n, p[4]);
    if (status == NRX_OK) nrxi_t_la_put(dtype, k, 1, p[1], 1, s, 1);
    if (status == NRX_OK && vectors) {
        nrxi_t_la_put(dtype, m, k, p[2], k, u, ldu);
        nrxi_t_la_put(dtype, k, n, p[3], n, vt, ldvt);
    }
    return nrxi_t_la_done(who, status, p[0], "the matrix holds a NaN or infinity");
}

NRXI_FN nrx_status nrxi_t_pub_lstsq(int dtype, const char *who, size_t m, size_t n, const void *a, size_t lda,
                                  const void *b, size_t nrhs, double rcond, void *x, size_t *rank)
{
    size_t size[3];
    double *p[3];
    nrx_status status;
    NRXI_T_LA_TRY(nrxi_t_la_check(who, "a", a, m, n, lda));
    NRXI_T_LA_TRY(nrxi_t_la_check(who, "b", b, m, nrhs, nrhs));
    NRXI_T_LA_TRY(nrxi_t_la_check(who, "x", x, n, nrhs, nrhs));
    if (dtype == NRX_F32 && rcond < 0.0) rcond = 1.1920929e-7 * (double)(m > n ? m : n);
    size[0] = nrxi_la_count(m, n, 0);
    size[1] = nrxi_la_count(m > n ? m : n, nrhs, 0);
    size[2] = nrxi_lstsq_work(m, n, nrhs);
    NRXI_T_LA_TRY(nrxi_t_la_carve(who, 3, size, p));
    nrxi_t_la_get(dtype, m, n, a, lda, p[0]);
    nrxi_t_la_get(dtype, m, nrhs, b, nrhs, p[1]);
    status = nrxi_lstsq(m, n, p[0], n, p[1], nrhs, rcond, rank, p[2]);
    if (status == NRX_OK) nrxi_t_la_put(dtype, n, nrhs, p[1], nrhs, x, nrhs);
    return nrxi_t_la_done(who, status, p[0], "the matrix or the right-hand side holds a NaN or infinity");
}

/* >>> twin f64 */
NRX_DEF nrx_status nrx_cholesky_f64(size_t n, const double *a, size_t lda, double *l, size_t ldl)
{
    return nrxi_t_pub_cholesky(NRX_F64, "nrx_cholesky_f64", n, a, lda, l, ldl);
}
NRX_DEF nrx_status nrx_lu_f64(size_t n, const double *a, size_t lda, double *lu, size_t ldlu, size_t *piv)
{
    return nrxi_t_pub_lu(NRX_F64, "nrx_lu_f64", n, a, lda, lu, ldlu, piv);
}
NRX_DEF nrx_status nrx_solve_f64(size_t n, const double *a, size_t lda, const double *b, size_t nrhs,
                                 double *x)
{
    return nrxi_t_pub_solve(NRX_F64, "nrx_solve_f64", n, a, lda, b, nrhs, x);
}
NRX_DEF nrx_status nrx_trsolve_f64(int upper, int trans, int unit, size_t n, const double *a, size_t lda,
                                   const double *b, size_t nrhs, double *x)
{
    return nrxi_t_pub_trsolve(NRX_F64, "nrx_trsolve_f64", upper, trans, unit, n, a, lda, b, nrhs, x);
}
NRX_DEF nrx_status nrx_qr_f64(size_t m, size_t n, const double *a, size_t lda, double *q, size_t ldq,
                              double *r, size_t ldr)
{
    return nrxi_t_pub_qr(NRX_F64, "nrx_qr_f64", m, n, a, lda, q, ldq, r, ldr, NULL);
}
NRX_DEF nrx_status nrx_qr_pivot_f64(size_t m, size_t n, const double *a, size_t lda, double *q, size_t ldq,
                                    double *r, size_t ldr, size_t *perm)
{
    if (n && !perm) return nrxi_fail(NULL, NRX_E_ARG, "nrx_qr_pivot_f64: perm is NULL");
    return nrxi_t_pub_qr(NRX_F64, "nrx_qr_pivot_f64", m, n, a, lda, q, ldq, r, ldr, perm);
}
NRX_DEF nrx_status nrx_eigh_f64(size_t n, const double *a, size_t lda, double *w, double *v, size_t ldv)
{
    return nrxi_t_pub_eigh(NRX_F64, "nrx_eigh_f64", n, a, lda, w, v, ldv);
}
NRX_DEF nrx_status nrx_eig_f64(size_t n, const double *a, size_t lda, double *w, double *v, size_t ldv)
{
    return nrxi_t_pub_eig(NRX_F64, "nrx_eig_f64", n, a, lda, w, v, ldv);
}
NRX_DEF nrx_status nrx_svd_f64(size_t m, size_t n, const double *a, size_t lda, double *s, double *u,
                               size_t ldu, double *vt, size_t ldvt)
{
    return nrxi_t_pub_svd(NRX_F64, "nrx_svd_f64", m, n, a, lda, s, u, ldu, vt, ldvt);
}
NRX_DEF nrx_status nrx_lstsq_f64(size_t m, size_t n, const double *a, size_t lda, const double *b,
                                 size_t nrhs, double rcond, double *x, size_t *rank)
{
    return nrxi_t_pub_lstsq(NRX_F64, "nrx_lstsq_f64", m, n, a, lda, b, nrhs, rcond, x, rank);
}
/* === twin f32 */
NRX_DEF nrx_status nrx_cholesky_f32(size_t n, const float *a, size_t lda, float *l, size_t ldl)
{
    return nrxi_t_pub_cholesky(NRX_F32, "nrx_cholesky_f32", n, a, lda, l, ldl);
}
NRX_DEF nrx_status nrx_lu_f32(size_t n, const float *a, size_t lda, float *lu, size_t ldlu, size_t *piv)
{
    return nrxi_t_pub_lu(NRX_F32, "nrx_lu_f32", n, a, lda, lu, ldlu, piv);
}
NRX_DEF nrx_status nrx_solve_f32(size_t n, const float *a, size_t lda, const float *b, size_t nrhs,
                                 float *x)
{
    return nrxi_t_pub_solve(NRX_F32, "nrx_solve_f32", n, a, lda, b, nrhs, x);
}
NRX_DEF nrx_status nrx_trsolve_f32(int upper, int trans, int unit, size_t n, const float *a, size_t lda,
                                   const float *b, size_t nrhs, float *x)
{
    return nrxi_t_pub_trsolve(NRX_F32, "nrx_trsolve_f32", upper, trans, unit, n, a, lda, b, nrhs, x);
}
NRX_DEF nrx_status nrx_qr_f32(size_t m, size_t n, const float *a, size_t lda, float *q, size_t ldq,
                              float *r, size_t ldr)
{
    return nrxi_t_pub_qr(NRX_F32, "nrx_qr_f32", m, n, a, lda, q, ldq, r, ldr, NULL);
}
NRX_DEF nrx_status nrx_qr_pivot_f32(size_t m, size_t n, const float *a, size_t lda, float *q, size_t ldq,
                                    float *r, size_t ldr, size_t *perm)
{
    if (n && !perm) return nrxi_fail(NULL, NRX_E_ARG, "nrx_qr_pivot_f32: perm is NULL");
    return nrxi_t_pub_qr(NRX_F32, "nrx_qr_pivot_f32", m, n, a, lda, q, ldq, r, ldr, perm);
}
NRX_DEF nrx_status nrx_eigh_f32(size_t n, const float *a, size_t lda, float *w, float *v, size_t ldv)
{
    return nrxi_t_pub_eigh(NRX_F32, "nrx_eigh_f32", n, a, lda, w, v, ldv);
}
NRX_DEF nrx_status nrx_eig_f32(size_t n, const float *a, size_t lda, float *w, float *v, size_t ldv)
{
    return nrxi_t_pub_eig(NRX_F32, "nrx_eig_f32", n, a, lda, w, v, ldv);
}
NRX_DEF nrx_status nrx_svd_f32(size_t m, size_t n, const float *a, size_t lda, float *s, float *u,
                               size_t ldu, float *vt, size_t ldvt)
{
    return nrxi_t_pub_svd(NRX_F32, "nrx_svd_f32", m, n, a, lda, s, u, ldu, vt, ldvt);
}
NRX_DEF nrx_status nrx_lstsq_f32(size_t m, size_t n, const float *a, size_t lda, const float *b,
                                 size_t nrhs, float rcond, float *x, size_t *rank)
{
    return nrxi_t_pub_lstsq(NRX_F32, "nrx_lstsq_f32", m, n, a, lda, b, nrhs, rcond, x, rank);
}
/* <<< twin */

/* -- files -- */

NRX_DEF void nrx_npy_free(void *p) { nrxi_free(NULL, p); }

/* Outputs are never NULL, and empty on failure. */
NRXI_FN nrx_status nrxi_t_npy_outputs(const char *who, void **data, const size_t *shape, const int *ndim,
                                    const void *source)
{
    if (data) *data = NULL;
    if (!data || !shape || !ndim || !source)
        return nrxi_fail(NULL, NRX_E_ARG, "%s: %s is NULL", who,
                         !data    ? "data"
                         : !shape ? "shape"
                         : !ndim  ? "ndim"
                                  : "the source");
    return NRX_OK;
}

NRX_DEF nrx_status nrx_npy_load(const char *path, int dtype, void **data, size_t *shape, int *ndim)
{
    NRXI_T_LA_TRY(nrxi_t_npy_outputs("nrx_npy_load", data, shape, ndim, path));
    return nrxi_npy_load(path, dtype, data, shape, ndim, NULL);
}

NRX_DEF nrx_status nrx_npy_decode(const void *bytes, size_t n, int dtype, void **data, size_t *shape,
                                  int *ndim)
{
    NRXI_T_LA_TRY(nrxi_t_npy_outputs("nrx_npy_decode", data, shape, ndim, bytes));
    return nrxi_npy_decode(bytes, n, dtype, data, shape, ndim, "memory", NULL);
}

NRX_DEF nrx_status nrx_npy_save(const char *path, int dtype, const void *data, const size_t *shape, int ndim)
{
    if (!path || !data || (ndim > 0 && !shape))
        return nrxi_fail(NULL, NRX_E_ARG, "nrx_npy_save: an argument is NULL");
    return nrxi_npy_save(path, dtype, data, shape, ndim, NULL);
}

NRX_DEF nrx_status nrx_npy_encode(int dtype, const void *data, const size_t *shape, int ndim, void **bytes,
                                  size_t *n)
{
    unsigned char *p;
    nrx_status status;
    if (!bytes || !n || !data || (ndim > 0 && !shape))
        return nrxi_fail(NULL, NRX_E_ARG, "nrx_npy_encode: an argument is NULL");
    status = nrxi_npy_encode(dtype, data, shape, ndim, &p, n, NULL);
    *bytes = p;
    return status;
}

NRXI_FN nrx_status nrxi_t_npz_decode(const unsigned char *bytes, size_t n, const char *name, size_t index,
                                   int dtype, void **data, size_t *shape, int *ndim, const char *who)
{
    nrxi_npz_entry entry;
    NRXI_T_LA_TRY(nrxi_npz_find(bytes, n, index, name, &entry, who, NULL));
    return nrxi_npy_decode(entry.bytes, entry.n, dtype, data, shape, ndim, who, NULL);
}

NRX_DEF nrx_status nrx_npz_load(const char *path, const char *name, size_t index, int dtype, void **data,
                                size_t *shape, int *ndim)
{
    unsigned char *bytes;
    size_t n;
    nrx_status status;
    NRXI_T_LA_TRY(nrxi_t_npy_outputs("nrx_npz_load", data, shape, ndim, path));
    NRXI_T_LA_TRY(nrxi_file_read(path, &bytes, &n, NULL));
    status = nrxi_t_npz_decode(bytes, n, name, index, dtype, data, shape, ndim, path);
    nrxi_free(NULL, bytes);
    return status;
}

NRX_DEF nrx_status nrx_npz_decode(const void *bytes, size_t n, const char *name, size_t index, int dtype,
                                  void **data, size_t *shape, int *ndim)
{
    NRXI_T_LA_TRY(nrxi_t_npy_outputs("nrx_npz_decode", data, shape, ndim, bytes));
    return nrxi_t_npz_decode((const unsigned char *)bytes, n, name, index, dtype, data, shape, ndim,
                             "memory");
}

NRX_DEF nrx_status nrx_npz_encode(const nrx_npz_item *items, size_t count, void **bytes, size_t *n)
{
    unsigned char *p = NULL;
    size_t i;
    nrx_status status;
    if (!bytes || !n || (count && !items))
        return nrxi_fail(NULL, NRX_E_ARG, "nrx_npz_encode: an argument is NULL");
    *bytes = NULL;
    for (i = 0; i < count; i++)
        if (!items[i].name || !items[i].data || (items[i].ndim > 0 && !items[i].shape))
            return nrxi_fail(NULL, NRX_E_ARG, "nrx_npz_encode: item %zu has a NULL pointer", i);
    status = nrxi_npz_encode(items, count, &p, n, NULL);
    *bytes = p;
    return status;
}

NRX_DEF nrx_status nrx_npz_save(const char *path, const nrx_npz_item *items, size_t count)
{
    void *bytes;
    size_t n;
    nrx_status status;
    if (!path) return nrxi_fail(NULL, NRX_E_ARG, "nrx_npz_save: path is NULL");
    NRXI_T_LA_TRY(nrx_npz_encode(items, count, &bytes, &n));
    status = nrxi_file_write(path, bytes, n, NULL, 0, NULL);
    nrxi_free(NULL, bytes);
    return status;
}

/* ==== tensors ==== */

NRX_DEF const char *nrx_t_version(void) { return NRX_TENSOR_VERSION; }

/* -- records: a storage is a counted block of memory, a node is what a tensor knows about storage, owner and
 * graph -- */

#define NRXI_T_LIVE 0x6e727874u
#define NRXI_T_SLAB 64            /* records allocated at a time */
#define NRXI_T_QUARANTINE 512     /* freed records that wait before the oldest is used again */
#define NRXI_T_CLASSES 256        /* size classes of recycled storage: four to each power of two */
#define NRXI_T_CHUNK 32768        /* elements in one parallel piece of element-wise work */

typedef struct nrxi_t_storage {
    struct nrxi_t_storage *next;      /* in its free list */
    void    *data;
    size_t   bytes, refs;         /* bytes: capacity; refs: tensors that hold it */
    uint32_t version;             /* grows with each write in place */
    int      size_class;          /* -1: the caller's memory */
} nrxi_t_storage;

/* One kind of operation. back gets the result, its gradient, and fills gx[i] for the inputs that need one
   (others stay NULL); it is written with public operators, so that it is recorded and can be differentiated
   again. */
typedef struct nrxi_t_op {
    const char *name;
    void (*back)(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx);
    unsigned save; /* bit i: back reads the values of input i; NRXI_T_SAVE_OUT: of the result;
                      NRXI_T_SAVE_ALL: of all inputs */
} nrxi_t_op;
#define NRXI_T_SAVE_OUT 0x100u
#define NRXI_T_SAVE_ALL 0x200u
#define NRXI_T_SAVES(op, i) (((op)->save & NRXI_T_SAVE_ALL) || ((i) < 8 && (op)->save >> (i) & 1u))

typedef struct nrxi_t_edge { nrx_tensor *x; uint32_t version; } nrxi_t_edge;

struct nrxi_t_node {
    uint32_t live;                /* NRXI_T_LIVE, else freed */
    int level;                    /* of the owning list; 0 = not owned by the user any more */
    int keep;                     /* moves one level out at the next end */
    int recorded, spent;          /* has edges; had edges that a backward freed */
    size_t refs, hold;            /* reasons to keep the record, and to keep the data */
    nrxi_t_storage *store;
    const nrxi_t_op *op;            /* what made it; NULL for leaves */
    nrxi_t_edge *in, small[3];
    size_t n_in;
    double c[2];                  /* attributes of op */
    ptrdiff_t k[4];
    void *blob;
    nrx_tensor *before, *after;   /* owning list, in order of creation */
    struct nrxi_t_visit *visit;     /* what the innermost running sweep knows about it */
};
/* One tensor in one backward sweep. Sweeps nest (a checkpoint runs one inside another), so visits form a
 * stack for each tensor. */
typedef struct nrxi_t_visit {
    struct nrxi_t_visit *below;     /* of the sweep around */
    uint64_t sweep;
    nrx_tensor *t, *parent;       /* parent: depth-first search */
    struct nrxi_t_visit *next;      /* order of the backward pass: results before inputs */
    size_t child;
    int open, target, wanted;     /* seen; a gradient is asked for; or for something it depends on */
    nrx_tensor *g;                /* its gradient so far */
} nrxi_t_visit;

typedef struct nrxi_t_record { nrx_tensor t; struct nrxi_t_node node; } nrxi_t_record;
typedef struct nrxi_t_slab { struct nrxi_t_slab *next; nrxi_t_record r[NRXI_T_SLAB]; } nrxi_t_slab;

struct nrx_scope {
    nrx_env env;
    size_t limit;
    nrx_t_memory_info memory;
    nrx_status status;
    int level, no_grad;
    size_t errors;                /* ever recorded */
    uint64_t sweeps;
    nrx_tensor *last;             /* newest tensor that the user owns */
    nrxi_t_slab *slabs;
    nrx_tensor *free_first, *free_last; /* records waiting, oldest first, linked by node->after */
    size_t free_count;
    nrxi_t_storage *free_store[NRXI_T_CLASSES];
    char line[400];
};

/* -- errors -- */

#if (defined(__GNUC__) || defined(__clang__)) && !defined(__TINYC__) && !defined(__MINGW32__)
__attribute__((format(printf, 3, 4)))
#endif
NRXI_FN nrx_tensor *nrxi_t_fail(nrx_scope *s, nrx_status status, const char *fmt, ...)
{
    char line[400];
    va_list args;
    va_start(args, fmt);
    nrxi_format(line, sizeof line, fmt, args);
    va_end(args);
    s->errors++;
    if (s->status == NRX_OK) {
        s->status = status;
        memcpy(s->line, line, sizeof line);
    }
    (void)nrxi_fail(&s->env, status, "%s", line);
    return NULL;
}

/* "f32 3x4 from nrx_t_relu" or "f32 3x4 "w1"" into text. */
typedef struct nrxi_t_label_info { char text[120]; } nrxi_t_label_info;
NRXI_FN const char *nrxi_t_label(nrxi_t_label_info *label, const nrx_tensor *x)
{
    nrxi_text t;
    int i;
    t.at = label->text;
    t.end = label->text + sizeof label->text - 1;
    nrxi_put_string(&t, x->dtype == NRX_F32 ? "f32 " : x->dtype == NRX_F64 ? "f64 " : "i64 ");
    for (i = 0; i < x->ndim; i++) {
        if (i) nrxi_put(&t, 'x');
        nrxi_put_unsigned(&t, x->shape[i]);
    }
    if (x->ndim == 0) nrxi_put_string(&t, "scalar");
    if (x->name) { nrxi_put_string(&t, " \""); nrxi_put_string(&t, x->name); nrxi_put(&t, '"'); }
    else if (x->node->op) { nrxi_put_string(&t, " from "); nrxi_put_string(&t, x->node->op->name); }
    *t.at = 0;
    return label->text;
}

NRX_DEF nrx_status nrx_t_status(const nrx_scope *s) { return s ? s->status : NRX_E_ARG; }
NRX_DEF const char *nrx_t_error(const nrx_scope *s) { return s ? s->line : "no scope"; }
NRX_DEF void nrx_t_clear_error(nrx_scope *s)
{
    if (!s) return;
    s->status = NRX_OK;
    s->line[0] = 0;
}

/* -- storage -- */

/* Class of a block of at least `bytes`, and the capacity of that class: 64 (1, 1.25, 1.5, 1.75) 2^k. */
NRXI_FN int nrxi_t_class(size_t bytes, size_t *capacity)
{
    size_t unit = 64, quarter;
    int c = 0;
    while (unit <= (size_t)-1 / 4 && unit * 2 <= bytes) { unit *= 2; c += 4; }
    if (bytes <= unit) { *capacity = unit; return c; }
    quarter = (bytes - unit + unit / 4 - 1) / (unit / 4);
    *capacity = unit + quarter * (unit / 4);
    return c + (int)quarter;
}

/* Storage of count * size bytes, from the free list of its class or the allocator; NULL when neither has any.
 */
NRXI_FN nrxi_t_storage *nrxi_t_store(nrx_scope *s, size_t count, size_t size)
{
    nrxi_t_storage *m;
    size_t bytes, capacity, total;
    int c;
    if (!nrxi_mul_ok(count, size, &bytes) || bytes > (size_t)-1 / 4) return NULL;
    c = nrxi_t_class(bytes, &capacity);
    if (s->limit && (capacity > s->limit || s->memory.bytes > s->limit - capacity)) return NULL;
    m = s->free_store[c];
    if (m) s->free_store[c] = m->next;
    else {
        if (!nrxi_add_ok(capacity, 64, &total)) return NULL;
        m = (nrxi_t_storage *)nrxi_alloc(&s->env, total, 1);
        if (!m) {
            nrx_t_trim(s);
            m = (nrxi_t_storage *)nrxi_alloc(&s->env, total, 1);
            if (!m) return NULL;
        }
        m->data = (unsigned char *)m + 64;
        m->bytes = capacity;
        m->size_class = c;
        m->version = 0;
        s->memory.reserved_bytes += total;
    }
    m->refs = 1;
    s->memory.bytes += capacity;
    if (s->memory.bytes > s->memory.peak_bytes) s->memory.peak_bytes = s->memory.bytes;
    return m;
}

NRXI_FN void nrxi_t_store_drop(nrx_scope *s, nrxi_t_storage *m)
{
    if (!m || --m->refs) return;
    if (m->size_class < 0) { nrxi_free(&s->env, m); return; }
    s->memory.bytes -= m->bytes;
    m->next = s->free_store[m->size_class];
    s->free_store[m->size_class] = m;
}

/* Work memory of an operator, recycled like storage. */
NRXI_FN void *nrxi_t_work(nrx_scope *s, size_t count, size_t size)
{
    nrxi_t_storage *m = nrxi_t_store(s, count, size);
    return m ? m->data : NULL;
}
NRXI_FN void nrxi_t_work_drop(nrx_scope *s, void *p)
{
    if (p) nrxi_t_store_drop(s, (nrxi_t_storage *)(void *)((unsigned char *)p - 64));
}

NRX_DEF void nrx_t_trim(nrx_scope *s)
{
    int c;
    if (!s) return;
    for (c = 0; c < NRXI_T_CLASSES; c++)
        while (s->free_store[c]) {
            nrxi_t_storage *m = s->free_store[c];
            s->free_store[c] = m->next;
            s->memory.reserved_bytes -= m->bytes + 64;
            nrxi_free(&s->env, m);
        }
}

/* -- records -- */

NRXI_FN int nrxi_t_grow_records(nrx_scope *s)
{
    nrxi_t_slab *slab = (nrxi_t_slab *)nrxi_calloc(&s->env, 1, sizeof *slab);
    int i;
    if (!slab) return 0;
    slab->next = s->slabs;
    s->slabs = slab;
    s->memory.reserved_bytes += sizeof *slab;
    for (i = NRXI_T_SLAB - 1; i >= 0;
         i--) { /* fresh records go to the front: nobody can hold a pointer to them */
        nrx_tensor *t = &slab->r[i].t;
        t->node = &slab->r[i].node;
        t->scope = s;
        t->node->after = s->free_first;
        if (!s->free_first) s->free_last = t;
        s->free_first = t;
    }
    s->free_count += NRXI_T_SLAB;
    return 1;
}

/* A record without data, owned by the current level; NULL when out of memory. */
NRXI_FN nrx_tensor *nrxi_t_record_new(nrx_scope *s, const nrxi_t_op *op, int dtype)
{
    nrx_tensor *t;
    struct nrxi_t_node *d;
    if (s->free_count <= NRXI_T_QUARANTINE && !nrxi_t_grow_records(s) && s->free_count == 0) {
        return nrxi_t_fail(s, NRX_E_NOMEM, "%s: out of memory for a tensor record", op ? op->name : "nrx_t");
    }
    t = s->free_first;
    d = t->node;
    s->free_first = d->after;
    if (!s->free_first) s->free_last = NULL;
    s->free_count--;
    t->data = NULL;
    t->ndim = 0;
    t->size = 1;
    t->dtype = dtype;
    t->requires_grad = 0;
    t->grad = NULL;
    t->name = NULL;
    d->live = NRXI_T_LIVE;
    d->keep = d->recorded = d->spent = 0;
    d->refs = d->hold = 1;
    d->store = NULL;
    d->op = op;
    d->in = NULL;
    d->n_in = 0;
    d->blob = NULL;
    d->visit = NULL;
    d->level = s->level;
    d->before = s->last;
    d->after = NULL;
    if (s->last) s->last->node->after = t;
    s->last = t;
    s->memory.tensors++;
    return t;
}

/* Gives up one reason to keep the data of t (its storage goes with the last one). */
NRXI_FN void nrxi_t_hold_drop(nrx_tensor *t)
{
    if (--t->node->hold) return;
    nrxi_t_store_drop(t->scope, t->node->store);
    t->node->store = NULL;
    t->data = NULL;
}

NRXI_FN void nrxi_t_retain(nrx_tensor *t) { t->node->refs++; t->node->hold++; }

/* Drops one reference; records that nothing refers to go to the waiting list, and so on along the edges,
   without recursion: `dead` chains records through node->after. */
NRXI_FN void nrxi_t_bury(nrx_tensor *t, nrx_tensor **dead)
{
    if (--t->node->refs) return;
    t->node->live = 0;
    t->node->after = *dead;
    *dead = t;
}

NRXI_FN void nrxi_t_cut(nrx_tensor *t, nrx_tensor **dead) /* removes the edges of t */
{
    struct nrxi_t_node *d = t->node;
    size_t i;
    if (!d->recorded) return;
    d->recorded = 0;
    t->scope->memory.graph_nodes--;
    for (i = 0; i < d->n_in; i++) {
        if (NRXI_T_SAVES(d->op, i)) nrxi_t_hold_drop(d->in[i].x);
        nrxi_t_bury(d->in[i].x, dead);
    }
    if (d->op->save & NRXI_T_SAVE_OUT) nrxi_t_hold_drop(t);
    if (d->in != d->small) nrxi_t_work_drop(t->scope, d->in);
    nrxi_t_work_drop(t->scope, d->blob);
    d->in = NULL;
    d->blob = NULL;
    d->n_in = 0;
}

NRXI_FN void nrxi_t_funeral(nrx_scope *s, nrx_tensor *dead)
{
    while (dead) {
        nrx_tensor *t = dead;
        struct nrxi_t_node *d = t->node;
        dead = d->after;
        nrxi_t_cut(t, &dead);
        if (d->blob) { nrxi_t_work_drop(s, d->blob); d->blob = NULL; }
        if (t->grad) {
            nrx_tensor *g = t->grad;
            t->grad = NULL;
            nrxi_t_hold_drop(g);
            nrxi_t_bury(g, &dead);
        }
        nrxi_t_store_drop(s, d->store);
        d->store = NULL;
        t->data = NULL;
        d->after = NULL;
        if (s->free_last) s->free_last->node->after = t;
        else s->free_first = t;
        s->free_last = t;
        s->free_count++;
        s->memory.tensors--;
    }
}

NRXI_FN void nrxi_t_release(nrx_tensor *t) /* the opposite of retain */
{
    nrx_tensor *dead = NULL;
    nrx_scope *s = t->scope;
    nrxi_t_hold_drop(t);
    nrxi_t_bury(t, &dead);
    nrxi_t_funeral(s, dead);
}

NRXI_FN void nrxi_t_disown(nrx_tensor *t) /* the user's ownership ends */
{
    nrx_scope *s = t->scope;
    struct nrxi_t_node *d = t->node;
    if (d->before) d->before->node->after = d->after;
    if (d->after) d->after->node->before = d->before;
    else s->last = d->before;
    d->before = d->after = NULL;
    d->level = 0;
    nrxi_t_release(t);
}

NRXI_FN void nrxi_t_own(nrx_tensor *t) /* takes over one retained reference into the current level */
{
    nrx_scope *s = t->scope;
    t->node->level = s->level;
    t->node->keep = 0;
    t->node->before = s->last;
    t->node->after = NULL;
    if (s->last) s->last->node->after = t;
    s->last = t;
}

/* -- scopes -- */

NRX_DEF nrx_scope *nrx_t_scope_open(const nrx_scope_desc *desc)
{
    nrx_scope *s = (nrx_scope *)nrxi_calloc(desc ? &desc->env : NULL, 1, sizeof *s);
    if (!s) {
        (void)nrxi_fail(desc ? &desc->env : NULL, NRX_E_NOMEM, "nrx_t_scope_open: out of memory");
        return NULL;
    }
    if (desc) { s->env = desc->env; s->limit = desc->limit; }
    s->status = NRX_OK;
    s->level = 1;
    return s;
}

NRX_DEF void nrx_t_scope_close(nrx_scope *s)
{
    nrx_env env;
    if (!s) return;
    while (s->last) nrxi_t_disown(s->last);
    nrx_t_trim(s);
    env = s->env;
    while (s->slabs) {
        nrxi_t_slab *next = s->slabs->next;
        nrxi_free(&env, s->slabs);
        s->slabs = next;
    }
    nrxi_free(&env, s);
}

NRX_DEF void nrx_t_begin(nrx_scope *s) { if (s) s->level++; }

NRX_DEF nrx_tensor *nrx_t_keep(nrx_tensor *x)
{
    if (x && x->node->live == NRXI_T_LIVE && x->node->level == x->scope->level) x->node->keep = 1;
    return x;
}

NRX_DEF nrx_tensor *nrx_t_end(nrx_scope *s, nrx_tensor *keep)
{
    nrx_tensor *t, *before;
    if (!s) return NULL;
    if (s->level == 1)
        return nrxi_t_fail(s, NRX_E_STATE, "nrx_t_end: no level is open (an nrx_t_begin is missing)");
    if (keep && keep->scope == s) nrx_t_keep(keep);
    for (t = s->last; t && t->node->level >= s->level; t = before) {
        before = t->node->before;
        if (t->node->keep) { t->node->keep = 0; t->node->level = s->level - 1; }
        else nrxi_t_disown(t);
    }
    s->level--;
    return keep;
}

NRX_DEF void nrx_t_free(nrx_tensor *x)
{
    if (!x) return;
    if (x->node->live != NRXI_T_LIVE || x->node->level == 0) {
        (void)nrxi_t_fail(x->scope, NRX_E_STATE, "nrx_t_free: the tensor was freed before");
        return;
    }
    nrxi_t_disown(x);
}

NRX_DEF nrx_status nrx_t_memory(nrx_scope *s, nrx_t_memory_info *info, int reset_peak)
{
    if (!s || !info) return NRX_E_ARG;
    *info = s->memory;
    if (reset_peak) s->memory.peak_bytes = s->memory.bytes;
    return NRX_OK;
}

/* -- checks at the door of every operator -- */

enum {
    NRXI_T_FLOAT = 1,
    NRXI_T_SAME = 2,
    NRXI_T_NODATA = 4
}; /* all floating; all of one dtype; values are not read */

/* The scope of the n inputs when all are sound, else NULL with the error recorded (or silently, when one is
 * NULL after an error). */
NRXI_FN nrx_scope *nrxi_t_enter(const char *name, nrx_tensor *const *x, size_t n, int flags)
{
    nrx_scope *s = NULL;
    nrxi_t_label_info a, b;
    size_t i;
    for (i = 0; i < n && !s; i++) if (x[i]) s = x[i]->scope;
    if (!s) return NULL;
    for (i = 0; i < n; i++) {
        if (!x[i]) {
            if (s->status == NRX_OK) (void)nrxi_t_fail(s, NRX_E_ARG, "%s: argument %zu is NULL", name, i + 1);
            return NULL;
        }
        if (x[i]->scope != s) {
            (void)nrxi_t_fail(s, NRX_E_ARG, "%s: argument %zu belongs to another scope", name, i + 1);
            return NULL;
        }
        if (x[i]->node->live != NRXI_T_LIVE || (!(flags & NRXI_T_NODATA) && !x[i]->node->store)) {
            (void)nrxi_t_fail(s, NRX_E_STATE, "%s: argument %zu was freed", name, i + 1);
            return NULL;
        }
        if ((flags & NRXI_T_FLOAT) && x[i]->dtype == NRX_I64) {
            (void)nrxi_t_fail(s, NRX_E_UNSUPPORTED, "%s: %s is not floating point, convert with nrx_t_cast",
                              name, nrxi_t_label(&a, x[i]));
            return NULL;
        }
        if ((flags & NRXI_T_SAME) && x[i]->dtype != x[0]->dtype) {
            (void)nrxi_t_fail(s, NRX_E_ARG, "%s: dtypes differ: %s and %s, convert with nrx_t_cast", name,
                              nrxi_t_label(&a, x[0]), nrxi_t_label(&b, x[i]));
            return NULL;
        }
    }
    return s;
}
NRXI_FN nrx_scope *nrxi_t_enter1(const char *name, const nrx_tensor *x, int flags)
{
    nrx_tensor *p = (nrx_tensor *)x;
    return nrxi_t_enter(name, &p, 1, flags);
}
NRXI_FN nrx_scope *nrxi_t_enter2(const char *name, const nrx_tensor *a, const nrx_tensor *b, int flags)
{
    nrx_tensor *x[2];
    x[0] = (nrx_tensor *)a; x[1] = (nrx_tensor *)b;
    return nrxi_t_enter(name, x, 2, flags);
}

/* Axis k of x, negative from the end; -1 and an error when there is none. */
NRXI_FN int nrxi_t_axis(const char *name, const nrx_tensor *x, int k, int ndim)
{
    nrxi_t_label_info a;
    if (k >= 0 && k < ndim) return k;
    if (k < 0 && k >= -ndim) return k + ndim;
    (void)nrxi_t_fail(x->scope, NRX_E_ARG, "%s: axis %d of %s", name, k, nrxi_t_label(&a, x));
    return -1;
}

/* Set of axes with bits 0 .. 7 only; 0x100 and an error when one does not exist. */
NRXI_FN unsigned nrxi_t_axes(const char *name, const nrx_tensor *x, unsigned axes, int ndim)
{
    unsigned set = 0;
    int k;
    if (axes & NRX_ALL_AXES) return (1u << ndim) - 1u;
    for (k = 0; k < 16; k++) {
        if (!(axes >> k & 1u)) continue;
        if (nrxi_t_axis(name, x, k < 8 ? k : k - 16, ndim) < 0) return 0x100u;
        set |= 1u << (k < 8 ? k : k - 16 + ndim);
    }
    return set;
}

/* -- making results -- */

NRX_DEF nrx_shape nrx_t_shape(const nrx_tensor *x)
{
    return x ? nrx_s(x->ndim, x->shape) : nrx_s0();
}

/* Number of elements of a shape; 0 when it is not a valid shape of elements of size bytes. */
NRXI_FN int nrxi_t_count(const nrx_shape *shape, size_t size, size_t *count)
{
    size_t n = 1, bytes, full = 1;
    int i;
    if (shape->ndim < 0 || shape->ndim > NRX_MAX_DIMS) return 0;
    for (i = 0; i < shape->ndim; i++) {
        if (!nrxi_mul_ok(n, shape->n[i], &n)) return 0;
        if (shape->n[i] && !nrxi_mul_ok(full, shape->n[i], &full)) return 0;
    }
    if (!nrxi_mul_ok(full, size, &bytes) || bytes > (size_t)-1 / 4) return 0;
    *count = n;
    return 1;
}

NRXI_FN void nrxi_t_set_shape(nrx_tensor *t, const nrx_shape *shape)
{
    ptrdiff_t stride = 1;
    int i;
    t->ndim = shape->ndim;
    t->size = 1;
    for (i = shape->ndim - 1; i >= 0; i--) {
        t->shape[i] = shape->n[i];
        t->stride[i] = stride;
        stride *= shape->n[i] ? (ptrdiff_t)shape->n[i] : 1;
        t->size *= shape->n[i];
    }
}

/* A contiguous tensor with unset values. */
NRXI_FN nrx_tensor *nrxi_t_new(nrx_scope *s, const nrxi_t_op *op, int dtype, nrx_shape shape)
{
    nrx_tensor *t;
    size_t count, size = nrxi_dtype_size(dtype);
    if (!nrxi_t_count(&shape, size, &count))
        return nrxi_t_fail(s, NRX_E_RANGE, "%s: a shape of %d axes overflows or has more than 8 axes",
                           op->name, shape.ndim);
    t = nrxi_t_record_new(s, op, dtype);
    if (!t) return NULL;
    nrxi_t_set_shape(t, &shape);
    t->node->store = nrxi_t_store(s, count, size);
    if (!t->node->store) {
        nrxi_t_disown(t);
        return nrxi_t_fail(s, NRX_E_NOMEM, "%s: no memory for %zu elements of %zu bytes%s", op->name, count,
                           size, s->limit ? " (the scope has a limit)" : "");
    }
    t->data = t->node->store->data;
    return t;
}

/* Another tensor on the storage of x, shaped and strided alike for the caller to change. */
NRXI_FN nrx_tensor *nrxi_t_alias(nrx_tensor *x, const nrxi_t_op *op)
{
    nrx_tensor *t = nrxi_t_record_new(x->scope, op, x->dtype);
    if (!t) return NULL;
    t->ndim = x->ndim;
    t->size = x->size;
    memcpy(t->shape, x->shape, sizeof t->shape);
    memcpy(t->stride, x->stride, sizeof t->stride);
    t->node->store = x->node->store;
    t->node->store->refs++;
    t->data = x->data;
    return t;
}

/* Links y to its n inputs when gradients will want it; sets requires_grad. Returns y, or NULL when out of
 * memory. */
NRXI_FN nrx_tensor *nrxi_t_link(nrx_tensor *y, nrx_tensor *const *in, size_t n)
{
    struct nrxi_t_node *d;
    nrx_scope *s;
    size_t i;
    int wanted = 0;
    if (!y) return NULL;
    s = y->scope;
    for (i = 0; i < n; i++) wanted |= in[i]->requires_grad;
    if (!wanted || s->no_grad || y->dtype == NRX_I64 || !y->node->op->back) return y;
    d = y->node;
    d->in = n <= 3 ? d->small : (nrxi_t_edge *)nrxi_t_work(s, n, sizeof *d->in);
    if (!d->in) {
        nrxi_t_fail(s, NRX_E_NOMEM, "%s: out of memory for the graph", d->op->name);
        nrxi_t_disown(y);
        return NULL;
    }
    d->n_in = n;
    d->recorded = 1;
    y->requires_grad = 1;
    s->memory.graph_nodes++;
    for (i = 0; i < n; i++) {
        d->in[i].x = in[i];
        d->in[i].version = in[i]->node->store ? in[i]->node->store->version : 0;
        in[i]->node->refs++;
        if (NRXI_T_SAVES(d->op, i)) in[i]->node->hold++;
    }
    if (d->op->save & NRXI_T_SAVE_OUT) d->hold++;
    return y;
}
NRXI_FN nrx_tensor *nrxi_t_link1(nrx_tensor *y, nrx_tensor *a) { return nrxi_t_link(y, &a, 1); }
NRXI_FN nrx_tensor *nrxi_t_link2(nrx_tensor *y, nrx_tensor *a, nrx_tensor *b)
{
    nrx_tensor *in[2];
    in[0] = a; in[1] = b;
    return nrxi_t_link(y, in, 2);
}
#define NRXI_T_IN(y, i) ((y)->node->in[i].x)
#define NRXI_T_WANTS(y, i)                                                                                   \
    (NRXI_T_IN(y, i)->requires_grad && NRXI_T_IN(y, i)->node->visit && NRXI_T_IN(y, i)->node->visit->wanted)

NRXI_FN int nrxi_t_is_contiguous(const nrx_tensor *x)
{
    ptrdiff_t stride = 1;
    int i;
    for (i = x->ndim - 1; i >= 0; i--) {
        if (x->shape[i] != 1 && x->stride[i] != stride) return 0;
        stride *= (ptrdiff_t)x->shape[i];
    }
    return 1;
}

NRXI_FN int nrxi_t_same_shape(const nrx_tensor *a, const nrx_tensor *b)
{
    int i;
    if (a->ndim != b->ndim) return 0;
    for (i = 0; i < a->ndim; i++) if (a->shape[i] != b->shape[i]) return 0;
    return 1;
}

/* -- element-wise loops over up to four strided operands; operand 0 is written -- */

typedef struct nrxi_t_map {
    int nop, nd, kind;
    size_t n[NRX_MAX_DIMS], total, size[4];
    ptrdiff_t st[4][NRX_MAX_DIMS];           /* in elements */
    unsigned char *p[4];
    double c[2];
    void (*kernel)(const struct nrxi_t_map *m, size_t n, unsigned char *const *p, const ptrdiff_t *st);
} nrxi_t_map;

/* Axes of `shape`; operand i is x[i], broadcast to it. Axes that can be walked as one are merged. */
NRXI_FN void nrxi_t_map_make(nrxi_t_map *m, int nop, const nrx_tensor *const *x, const nrx_shape *shape)
{
    int axis, i, nd = 0;
    m->nop = nop;
    m->kind = 0;
    m->total = 1;
    m->c[0] = m->c[1] = 0;
    for (i = 0; i < nop; i++) {
        m->p[i] = (unsigned char *)x[i]->data;
        m->size[i] = nrxi_dtype_size(x[i]->dtype);
    }
    for (axis = 0; axis < shape->ndim; axis++) {
        ptrdiff_t st[4];
        size_t n = shape->n[axis];
        int merge = nd > 0;
        m->total *= n;
        if (n == 1) continue;
        for (i = 0; i < nop; i++) {
            int a = axis - (shape->ndim - x[i]->ndim);
            st[i] = a < 0 || x[i]->shape[a] == 1 ? 0 : x[i]->stride[a];
            if (nd && m->st[i][nd - 1] != st[i] * (ptrdiff_t)n) merge = 0;
        }
        if (merge) nd--;
        m->n[nd] = merge ? m->n[nd] * n : n;
        for (i = 0; i < nop; i++) m->st[i][nd] = st[i];
        nd++;
    }
    if (nd == 0) {
        m->n[0] = m->total;
        for (i = 0; i < nop; i++) m->st[i][0] = 1;
        nd = 1;
    }
    m->nd = nd;
}

NRXI_FN void nrxi_t_map_range(const nrxi_t_map *m, size_t lo, size_t hi)
{
    size_t at[NRX_MAX_DIMS], rest = lo;
    unsigned char *p[4];
    ptrdiff_t inner[4];
    int i, d, last = m->nd - 1;
    for (i = 0; i < m->nop; i++) { p[i] = m->p[i]; inner[i] = m->st[i][last]; }
    for (d = last; d >= 0; d--) {
        at[d] = rest % m->n[d];
        rest /= m->n[d];
        for (i = 0; i < m->nop; i++) p[i] += m->st[i][d] * (ptrdiff_t)at[d] * (ptrdiff_t)m->size[i];
    }
    while (lo < hi) {
        size_t n = m->n[last] - at[last];
        if (n > hi - lo) n = hi - lo;
        m->kernel(m, n, p, inner);
        lo += n;
        if (lo >= hi) break;
        for (i = 0; i < m->nop; i++) p[i] -= m->st[i][last] * (ptrdiff_t)at[last] * (ptrdiff_t)m->size[i];
        at[last] = 0;
        for (d = last - 1; d >= 0; d--) {
            for (i = 0; i < m->nop; i++) p[i] += m->st[i][d] * (ptrdiff_t)m->size[i];
            if (++at[d] < m->n[d]) break;
            for (i = 0; i < m->nop; i++) p[i] -= m->st[i][d] * (ptrdiff_t)m->n[d] * (ptrdiff_t)m->size[i];
            at[d] = 0;
        }
    }
}

NRXI_FN void nrxi_t_map_chunk(void *arg, size_t chunk)
{
    const nrxi_t_map *m = (const nrxi_t_map *)arg;
    size_t lo = chunk * NRXI_T_CHUNK, hi = m->total - lo > NRXI_T_CHUNK ? lo + NRXI_T_CHUNK : m->total;
    nrxi_t_map_range(m, lo, hi);
}

NRXI_FN void nrxi_t_map_run(nrx_scope *s, nrxi_t_map *m)
{
    if (m->total == 0) return;
    if (m->total <= NRXI_T_CHUNK) nrxi_t_map_range(m, 0, m->total);
    else nrxi_parallel(&s->env, (m->total - 1) / NRXI_T_CHUNK + 1, nrxi_t_map_chunk, m);
}

NRXI_GLUE_END

/* The loop of the kernels below, over a multiple of eight values (eight at a time become vector code): E uses
   u and v, and is stored to y. */
#define NRXI_T_LOOP2(T, E)                                                                    \
    for (; i < n; i += 8)                                                                     \
        for (j = 0; j < 8; j++) {                                                             \
            T u = a[i + j], v = b[i + j];                                                     \
            y[i + j] = (T)(E);                                                                \
        }                                                                                     \
    break;

enum {
    NRXI_T_ADD,
    NRXI_T_SUB,
    NRXI_T_MUL,
    NRXI_T_DIV,
    NRXI_T_POW,
    NRXI_T_ATAN2,
    NRXI_T_MAX,
    NRXI_T_MIN,
    NRXI_T_EQ,
    NRXI_T_NE,
    NRXI_T_LT,
    NRXI_T_LE,
    NRXI_T_GT,
    NRXI_T_GE,
    NRXI_T_GATE
};

/* One loop an operation: operands that are strided or broadcast are first gathered in blocks that stay in
   cache, as is a last piece that is no multiple of eight (with the loop running over what is in the buffer
   behind it). */
#define NRXI_T_BINARY_KERNEL(T, NAME, POW, ATAN2)                                             \
NRXI_FN void NAME##_block(int kind, T slope, size_t n, const T *a, const T *b,                \
                          T *NRX_RESTRICT y)                                                  \
{                                                                                             \
    size_t i = 0, j;                                                                          \
    switch (kind) {                                                                           \
    case NRXI_T_ADD: NRXI_T_LOOP2(T, u + v)                                                   \
    case NRXI_T_SUB: NRXI_T_LOOP2(T, u - v)                                                   \
    case NRXI_T_MUL: NRXI_T_LOOP2(T, u * v)                                                   \
    case NRXI_T_DIV: NRXI_T_LOOP2(T, u / v)                                                   \
    case NRXI_T_POW: for (; i < n; i++) y[i] = POW(a[i], b[i]); break;                        \
    case NRXI_T_ATAN2: for (; i < n; i++) y[i] = ATAN2(a[i], b[i]); break;                    \
    case NRXI_T_MAX: NRXI_T_LOOP2(T, u > v || u != u ? u : v)                                 \
    case NRXI_T_MIN: NRXI_T_LOOP2(T, u < v || u != u ? u : v)                                 \
    case NRXI_T_EQ: NRXI_T_LOOP2(T, u == v ? 1 : 0)                                           \
    case NRXI_T_NE: NRXI_T_LOOP2(T, u != v ? 1 : 0)                                           \
    case NRXI_T_LT: NRXI_T_LOOP2(T, u < v ? 1 : 0)                                            \
    case NRXI_T_LE: NRXI_T_LOOP2(T, u <= v ? 1 : 0)                                           \
    case NRXI_T_GT: NRXI_T_LOOP2(T, u > v ? 1 : 0)                                            \
    case NRXI_T_GE: NRXI_T_LOOP2(T, u >= v ? 1 : 0)                                           \
    case NRXI_T_GATE: NRXI_T_LOOP2(T, v > 0 ? u : slope * u)                                  \
    default: break;                                                                           \
    }                                                                                         \
}                                                                                             \
NRXI_FN const T *NAME##_gather(const T *x, ptrdiff_t stride, size_t n, T *to)                 \
{                                                                                             \
    size_t i;                                                                                 \
    if (stride == 1 && n % 8 == 0) return x;                                                  \
    for (i = 0; i < n; i++) to[i] = x[(ptrdiff_t)i * stride];                                 \
    for (; i % 8; i++) to[i] = to[n - 1];                                                     \
    return to;                                                                                \
}                                                                                             \
NRXI_FN void NAME(const nrxi_t_map *m, size_t n, unsigned char *const *p, const ptrdiff_t *st)\
{                                                                                             \
    T *y = (T *)(void *)p[0], block[2][512], last[512];                                       \
    const T *a = (const T *)(const void *)p[1], *b = (const T *)(const void *)p[2];           \
    size_t i, len;                                                                            \
    for (i = 0; i < n; i += len) {                                                            \
        const T *u = block[0], *v = block[1];                                                 \
        len = n - i < 512 ? n - i : 512;                                                      \
        /* a broadcast value is gathered once */                                              \
        if (i == 0 || st[1]) u = NAME##_gather(a + (ptrdiff_t)i * st[1], st[1], len, block[0]);\
        if (i == 0 || st[2]) v = NAME##_gather(b + (ptrdiff_t)i * st[2], st[2], len, block[1]);\
        if (len % 8 == 0) { NAME##_block(m->kind, (T)m->c[0], len, u, v, y + i); continue; }  \
        NAME##_block(m->kind, (T)m->c[0], (len + 7) / 8 * 8, u, v, last);                     \
        memcpy(y + i, last, len * sizeof *y);                                                 \
    }                                                                                         \
}
NRXI_T_BINARY_KERNEL(float, nrxi_t_binary_f32, powf, atan2f)
NRXI_T_BINARY_KERNEL(double, nrxi_t_binary_f64, pow, atan2)

NRXI_FN void nrxi_t_binary_i64(const nrxi_t_map *m, size_t n, unsigned char *const *p,
                             const ptrdiff_t *st) /* sums and products wrap */
{
    int64_t *y = (int64_t *)(void *)p[0];
    const int64_t *a = (const int64_t *)(const void *)p[1], *b = (const int64_t *)(const void *)p[2];
    size_t i;
    for (i = 0; i < n; i++, y++, a += st[1], b += st[2]) {
        int64_t u = *a, v = *b;
        switch (m->kind) {
        case NRXI_T_ADD: *y = (int64_t)((uint64_t)u + (uint64_t)v); break;
        case NRXI_T_SUB: *y = (int64_t)((uint64_t)u - (uint64_t)v); break;
        case NRXI_T_MUL: *y = (int64_t)((uint64_t)u * (uint64_t)v); break;
        case NRXI_T_MAX: *y = u > v ? u : v; break;
        case NRXI_T_MIN: *y = u < v ? u : v; break;
        case NRXI_T_EQ: *y = u == v; break;
        case NRXI_T_NE: *y = u != v; break;
        case NRXI_T_LT: *y = u < v; break;
        case NRXI_T_LE: *y = u <= v; break;
        case NRXI_T_GT: *y = u > v; break;
        default: *y = u >= v; break;
        }
    }
}

/* Copies between strided arrays, converting the element type. */
#define NRXI_T_CAST_LOOP(TO, FROM)                                                              \
    {                                                                                         \
        TO *y = (TO *)(void *)p[0];                                                           \
        const FROM *a = (const FROM *)(const void *)p[1];                                     \
        for (i = 0; i < n; i++) y[(ptrdiff_t)i * st[0]] = (TO)a[(ptrdiff_t)i * st[1]];        \
    }
NRXI_FN int64_t nrxi_t_to_i64(double v) /* saturates; NaN gives 0 */
{
    if (v >= 9223372036854775807.0) return INT64_MAX;
    if (v <= -9223372036854775808.0) return INT64_MIN;
    return v == v ? (int64_t)v : 0;
}
NRXI_FN void nrxi_t_copy_kernel(const nrxi_t_map *m, size_t n, unsigned char *const *p,
                              const ptrdiff_t *st) /* kind: 4 to + from */
{
    size_t i;
    switch (m->kind) {
    case 4 * NRX_F32 + NRX_F32:
        if (st[0] == 1 && st[1] == 1) memcpy(p[0], p[1], n * 4); else NRXI_T_CAST_LOOP(float, float)
        break;
    case 4 * NRX_F32 + NRX_F64: NRXI_T_CAST_LOOP(float, double) break;
    case 4 * NRX_F32 + NRX_I64: NRXI_T_CAST_LOOP(float, int64_t) break;
    case 4 * NRX_F64 + NRX_F32: NRXI_T_CAST_LOOP(double, float) break;
    case 4 * NRX_F64 + NRX_I64: NRXI_T_CAST_LOOP(double, int64_t) break;
    case 4 * NRX_I64 + NRX_F32:
        for (i = 0; i < n; i++)
            ((int64_t *)(void *)p[0])[(ptrdiff_t)i * st[0]] =
                nrxi_t_to_i64((double)((const float *)(const void *)p[1])[(ptrdiff_t)i * st[1]]);
        break;
    case 4 * NRX_I64 + NRX_F64:
        for (i = 0; i < n; i++)
            ((int64_t *)(void *)p[0])[(ptrdiff_t)i * st[0]] =
                nrxi_t_to_i64(((const double *)(const void *)p[1])[(ptrdiff_t)i * st[1]]);
        break;
    case 4 * NRX_F64 + NRX_F64:
        if (st[0] == 1 && st[1] == 1) memcpy(p[0], p[1], n * 8); else NRXI_T_CAST_LOOP(double, double)
        break;
    default: NRXI_T_CAST_LOOP(int64_t, int64_t)
    }
}

NRXI_GLUE_BEGIN

/* y = x with conversion and broadcasting; y strided. */
NRXI_FN void nrxi_t_copy_into(nrx_tensor *y, const nrx_tensor *x)
{
    const nrx_tensor *op[2];
    nrx_shape shape = nrx_t_shape(y);
    nrxi_t_map m;
    op[0] = y; op[1] = x;
    nrxi_t_map_make(&m, 2, op, &shape);
    m.kernel = nrxi_t_copy_kernel;
    m.kind = 4 * y->dtype + x->dtype;
    nrxi_t_map_run(y->scope, &m);
}

/* x itself when contiguous, else a copy that is not recorded: for kernels that want plain arrays. Owned by
 * the current level. */
NRXI_FN nrx_tensor *nrxi_t_plain(nrx_tensor *x, const nrxi_t_op *op)
{
    nrx_tensor *y;
    if (nrxi_t_is_contiguous(x)) return x;
    y = nrxi_t_new(x->scope, op, x->dtype, nrx_t_shape(x));
    if (y) nrxi_t_copy_into(y, x);
    return y;
}

/* -- constructors -- */

static const nrxi_t_op nrxi_t_op_make = { "nrx_t constructor", NULL, 0 };

NRX_DEF nrx_tensor *nrx_t_empty(nrx_scope *s, int dtype, nrx_shape shape)
{
    nrx_tensor *t;
    if (!s) return NULL;
    if (dtype != NRX_F32 && dtype != NRX_F64 && dtype != NRX_I64)
        return nrxi_t_fail(s, NRX_E_ARG, "nrx_t constructor: dtype %d", dtype);
    t = nrxi_t_new(s, &nrxi_t_op_make, dtype, shape);
    if (t) t->node->op = NULL;
    return t;
}

NRX_INLINE void nrxi_t_store_value(const nrx_tensor *x, ptrdiff_t offset, double v)
{
    if (x->dtype == NRX_F32) ((float *)x->data)[offset] = (float)v;
    else if (x->dtype == NRX_F64) ((double *)x->data)[offset] = v;
    else ((int64_t *)x->data)[offset] = nrxi_t_to_i64(v);
}
NRX_INLINE double nrxi_t_load_value(const nrx_tensor *x, ptrdiff_t offset)
{
    return x->dtype == NRX_F32   ? (double)((const float *)x->data)[offset]
           : x->dtype == NRX_F64 ? ((const double *)x->data)[offset]
                                 : (double)((const int64_t *)x->data)[offset];
}

NRX_DEF nrx_tensor *nrx_t_zeros(nrx_scope *s, int dtype, nrx_shape shape)
{
    nrx_tensor *t = nrx_t_empty(s, dtype, shape);
    if (t) memset(t->data, 0, t->size * nrxi_dtype_size(dtype));
    return t;
}
NRX_DEF nrx_tensor *nrx_t_full(nrx_scope *s, int dtype, nrx_shape shape, double value)
{
    nrx_tensor *t = nrx_t_empty(s, dtype, shape);
    size_t done, more, z;
    if (!t || t->size == 0) return t;
    nrxi_t_store_value(t, 0, value);
    z = nrxi_dtype_size(dtype);
    for (done = 1; done < t->size; done += more) { /* what is there is copied behind itself */
        more = done < 2048 ? done : 2048;
        if (more > t->size - done) more = t->size - done;
        memcpy((unsigned char *)t->data + done * z, t->data, more * z);
    }
    return t;
}
NRX_DEF nrx_tensor *nrx_t_ones(nrx_scope *s, int dtype, nrx_shape shape)
{
    return nrx_t_full(s, dtype, shape, 1);
}
NRX_DEF nrx_tensor *nrx_t_scalar(nrx_scope *s, int dtype, double value)
{
    return nrx_t_full(s, dtype, nrx_s0(), value);
}

NRX_DEF nrx_tensor *nrx_t_from(nrx_scope *s, int dtype, nrx_shape shape, const void *data)
{
    nrx_tensor *t;
    if (s && !data) return nrxi_t_fail(s, NRX_E_ARG, "nrx_t_from: data is NULL");
    t = nrx_t_empty(s, dtype, shape);
    if (t && t->size) memcpy(t->data, data, t->size * nrxi_dtype_size(dtype));
    return t;
}

NRX_DEF nrx_tensor *nrx_t_wrap(nrx_scope *s, int dtype, nrx_shape shape, const ptrdiff_t *stride, void *data)
{
    nrx_tensor *t;
    nrxi_t_storage *m;
    size_t count;
    int i;
    if (!s) return NULL;
    if (!data) return nrxi_t_fail(s, NRX_E_ARG, "nrx_t_wrap: data is NULL");
    if (dtype != NRX_F32 && dtype != NRX_F64 && dtype != NRX_I64)
        return nrxi_t_fail(s, NRX_E_ARG, "nrx_t_wrap: dtype %d", dtype);
    if (!nrxi_t_count(&shape, nrxi_dtype_size(dtype), &count))
        return nrxi_t_fail(s, NRX_E_RANGE, "nrx_t_wrap: the shape overflows");
    m = (nrxi_t_storage *)nrxi_calloc(&s->env, 1, sizeof *m);
    t = m ? nrxi_t_record_new(s, NULL, dtype) : NULL;
    if (!t) {
        nrxi_free(&s->env, m);
        return nrxi_t_fail(s, NRX_E_NOMEM, "nrx_t_wrap: out of memory");
    }
    m->refs = 1;
    m->size_class = -1;
    m->data = data;
    nrxi_t_set_shape(t, &shape);
    if (stride) for (i = 0; i < shape.ndim; i++) t->stride[i] = stride[i];
    t->node->store = m;
    t->data = data;
    return t;
}

NRX_DEF nrx_tensor *nrx_t_arange(nrx_scope *s, int dtype, double start, double step, size_t n)
{
    nrx_tensor *t = nrx_t_empty(s, dtype, nrx_s1(n));
    size_t i;
    if (t) for (i = 0; i < n; i++) nrxi_t_store_value(t, (ptrdiff_t)i, start + step * (double)i);
    return t;
}
NRX_DEF nrx_tensor *nrx_t_linspace(nrx_scope *s, int dtype, double first, double last, size_t n)
{
    nrx_tensor *t = nrx_t_empty(s, dtype, nrx_s1(n));
    size_t i;
    if (!t) return NULL;
    for (i = 0; i < n; i++)
        nrxi_t_store_value(t, (ptrdiff_t)i,
                           n > 1 ? first + (last - first) * ((double)i / (double)(n - 1)) : first);
    if (n > 1) nrxi_t_store_value(t, (ptrdiff_t)n - 1, last);
    return t;
}
NRX_DEF nrx_tensor *nrx_t_eye(nrx_scope *s, int dtype, size_t n)
{
    nrx_tensor *t = nrx_t_zeros(s, dtype, nrx_s2(n, n));
    size_t i;
    if (t) for (i = 0; i < n; i++) nrxi_t_store_value(t, (ptrdiff_t)(i * n + i), 1);
    return t;
}

NRXI_FN nrx_tensor *nrxi_t_random(const char *name, nrx_scope *s, int dtype, nrx_shape shape, nrx_rng *r)
{
    if (s && !r) return nrxi_t_fail(s, NRX_E_ARG, "%s: the generator is NULL", name);
    return nrx_t_empty(s, dtype, shape);
}
NRX_DEF nrx_tensor *nrx_t_uniform(nrx_scope *s, int dtype, nrx_shape shape, double lo, double hi, nrx_rng *r)
{
    nrx_tensor *t = nrxi_t_random("nrx_t_uniform", s, dtype, shape, r);
    size_t i;
    if (t)
        for (i = 0; i < t->size; i++)
            nrxi_t_store_value(t, (ptrdiff_t)i, lo + (hi - lo) * nrx_rng_uniform(r));
    return t;
}
NRX_DEF nrx_tensor *nrx_t_normal(nrx_scope *s, int dtype, nrx_shape shape, double mean, double std,
                                 nrx_rng *r)
{
    nrx_tensor *t = nrxi_t_random("nrx_t_normal", s, dtype, shape, r);
    size_t i;
    if (t) for (i = 0; i < t->size; i++) nrxi_t_store_value(t, (ptrdiff_t)i, mean + std * nrx_rng_normal(r));
    return t;
}
NRX_DEF nrx_tensor *nrx_t_permutation(nrx_scope *s, size_t n, nrx_rng *r)
{
    nrx_tensor *t = nrxi_t_random("nrx_t_permutation", s, NRX_I64, nrx_s1(n), r);
    int64_t *p;
    size_t i;
    if (!t) return NULL;
    p = (int64_t *)t->data;
    for (i = 0; i < n; i++) { /* inside-out Fisher-Yates */
        size_t j = (size_t)nrx_rng_below(r, i + 1);
        p[i] = p[j];
        p[j] = (int64_t)i;
    }
    return t;
}
NRX_DEF nrx_tensor *nrx_t_dropout_mask(nrx_scope *s, int dtype, nrx_shape shape, double p, nrx_rng *r)
{
    nrx_tensor *t;
    size_t i;
    if (s && !(p >= 0 && p < 1))
        return nrxi_t_fail(s, NRX_E_ARG, "nrx_t_dropout_mask: p = %g, expected 0 <= p < 1", p);
    t = nrxi_t_random("nrx_t_dropout_mask", s, dtype, shape, r);
    if (t)
        for (i = 0; i < t->size; i++)
            nrxi_t_store_value(t, (ptrdiff_t)i, nrx_rng_uniform(r) < p ? 0.0 : 1.0 / (1.0 - p));
    return t;
}

/* -- values -- */

NRXI_FN double nrxi_t_nan(void)
{
    uint64_t bits = 0x7ff8000000000000ULL;
    double v;
    memcpy(&v, &bits, 8);
    return v;
}

NRX_DEF double nrx_t_get(const nrx_tensor *x, const size_t *index)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_get", x, 0);
    nrxi_t_label_info a;
    ptrdiff_t at = 0;
    int i;
    if (!s) return nrxi_t_nan();
    for (i = 0; i < x->ndim; i++) {
        if (!index || index[i] >= x->shape[i]) {
            nrxi_t_fail(s, NRX_E_ARG, "nrx_t_get: index %zu on axis %d of %s", index ? index[i] : (size_t)0,
                        i, nrxi_t_label(&a, x));
            return nrxi_t_nan();
        }
        at += (ptrdiff_t)index[i] * x->stride[i];
    }
    return nrxi_t_load_value(x, at);
}
NRX_DEF double nrx_t_item(const nrx_tensor *x)
{
    size_t index[NRX_MAX_DIMS] = {0, 0, 0, 0, 0, 0, 0, 0};
    nrxi_t_label_info a;
    if (x && x->node->live == NRXI_T_LIVE && x->size != 1) {
        nrxi_t_fail(x->scope, NRX_E_SHAPE, "nrx_t_item: %s has %zu elements", nrxi_t_label(&a, x), x->size);
        return nrxi_t_nan();
    }
    return nrx_t_get(x, index);
}
NRX_DEF nrx_status nrx_t_read(const nrx_tensor *x, void *out)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_read", x, 0);
    nrx_tensor y;
    struct nrxi_t_node node;
    nrx_shape shape;
    if (!s) return x ? x->scope->status : NRX_E_ARG;
    if (!out) { nrxi_t_fail(s, NRX_E_ARG, "nrx_t_read: out is NULL"); return NRX_E_ARG; }
    memset(&node, 0, sizeof node);
    shape = nrx_t_shape(x);
    y = *x;
    y.node = &node;
    nrxi_t_set_shape(&y, &shape);
    y.data = out;
    nrxi_t_copy_into(&y, x);
    return NRX_OK;
}
NRX_DEF nrx_tensor *nrx_t_name(nrx_tensor *x, const char *name)
{
    if (x) x->name = name;
    return x;
}

/* One matrix or row of x at offset; `depth` axes are fixed already. Long axes show their first and last four
 * entries. */
NRXI_FN void nrxi_t_show(nrxi_text *t, size_t *length, const nrx_tensor *x, int axis, ptrdiff_t offset)
{
    char number[40];
    size_t i, j, n, cut;
    if (axis == x->ndim) {
        nrxi_text w;
        w.at = number;
        w.end = number + sizeof number - 1;
        if (x->dtype == NRX_I64) nrxi_put_signed(&w, ((const int64_t *)x->data)[offset]);
        else nrxi_put_double(&w, nrxi_t_load_value(x, offset));
        *w.at = 0;
        n = strlen(number);
        for (j = n; j < 10; j++, ++*length) nrxi_put(t, ' ');
        nrxi_put_string(t, number);
        *length += n;
        return;
    }
    n = x->shape[axis];
    cut = n > 8 ? 4 : n;
    nrxi_put(t, '[');
    ++*length;
    for (i = 0; i < n; i++) {
        if (i == cut && n > 8) {
            nrxi_put_string(t, axis == x->ndim - 1 ? "   ..." : "\n ...");
            *length += axis == x->ndim - 1 ? 6 : 5;
            i = n - 4;
        }
        if (i && axis < x->ndim - 1) {
            nrxi_put(t, '\n');
            for (j = 0; j <= (size_t)axis; j++) nrxi_put(t, ' ');
            *length += 2 + (size_t)axis;
        }
        nrxi_t_show(t, length, x, axis + 1, offset + (ptrdiff_t)i * x->stride[axis]);
    }
    nrxi_put(t, ']');
    ++*length;
}

NRX_DEF size_t nrx_t_format(const nrx_tensor *x, char *text, size_t size)
{
    nrxi_text t;
    nrxi_t_label_info a;
    size_t length;
    t.at = text;
    t.end = size ? text + size - 1 : text;
    if (!x || x->node->live != NRXI_T_LIVE || !x->node->store) {
        nrxi_put_string(&t, x ? "(freed)" : "(null)");
        length = x ? 7 : 6;
    } else {
        nrxi_put_string(&t, nrxi_t_label(&a, x));
        nrxi_put(&t, '\n');
        length = strlen(a.text) + 1;
        nrxi_t_show(&t, &length, x, 0, 0);
    }
    if (size) *t.at = 0;
    return length;
}
NRX_DEF void nrx_t_print(const nrx_tensor *x)
{
#if !defined(NRX_NO_STDIO)
    char text[2000], *more;
    size_t length = nrx_t_format(x, text, sizeof text);
    if (length < sizeof text) { puts(text); return; }
    more = (char *)nrxi_alloc(&x->scope->env, length + 1, 1);
    if (!more) return;
    (void)nrx_t_format(x, more, length + 1);
    puts(more);
    nrxi_free(&x->scope->env, more);
#else
    (void)x;
#endif
}

/* -- writing in place -- */

/* Whether x may be written by `name`; bumps the version of its storage. y may be NULL. */
NRXI_FN nrx_status nrxi_t_writable(const char *name, nrx_tensor *x, const nrx_tensor *y)
{
    nrx_scope *s = y ? nrxi_t_enter2(name, x, y, 0) : nrxi_t_enter1(name, x, 0);
    nrxi_t_label_info a, b;
    int i, k;
    if (!s) {
        if (x && !y) return x->scope->status;
        return x ? (x->scope->status ? x->scope->status : NRX_E_ARG) : NRX_E_ARG;
    }
    if (x->node->recorded || x->node->spent) {
        nrxi_t_fail(s, NRX_E_STATE, "%s: %s is the result of a recorded operation; write to a detached copy",
                    name, nrxi_t_label(&a, x));
        return NRX_E_STATE;
    }
    for (i = 0; i < x->ndim; i++)
        if (x->stride[i] == 0 && x->shape[i] > 1) {
            nrxi_t_fail(s, NRX_E_STATE, "%s: %s is expanded, several elements share memory", name,
                        nrxi_t_label(&a, x));
            return NRX_E_STATE;
        }
    if (y) {
        for (i = 0; i < y->ndim; i++) {
            k = x->ndim - y->ndim + i;
            if ((k < 0 && y->shape[i] != 1) || (k >= 0 && y->shape[i] != 1 && y->shape[i] != x->shape[k])) {
                nrxi_t_fail(s, NRX_E_SHAPE, "%s: %s does not broadcast to %s", name, nrxi_t_label(&b, y),
                            nrxi_t_label(&a, x));
                return NRX_E_SHAPE;
            }
        }
        if (y->dtype != x->dtype) {
            nrxi_t_fail(s, NRX_E_ARG, "%s: dtypes differ: %s and %s", name, nrxi_t_label(&a, x),
                        nrxi_t_label(&b, y));
            return NRX_E_ARG;
        }
    }
    x->node->store->version++;
    return NRX_OK;
}

/* y for reading while x is written: a copy when both lie on one storage (only an exact alias is harmless). */
NRXI_FN nrx_tensor *nrxi_t_apart(nrx_tensor *x, nrx_tensor *y)
{
    static const nrxi_t_op op = { "nrx_t_set", NULL, 0 };
    nrx_tensor *c;
    if (x->node->store != y->node->store ||
        (x->data == y->data && nrxi_t_same_shape(x, y) &&
         !memcmp(x->stride, y->stride, (size_t)x->ndim * sizeof *x->stride)))
        return y;
    c = nrxi_t_new(y->scope, &op, y->dtype, nrx_t_shape(y));
    if (c) nrxi_t_copy_into(c, y);
    return c;
}

NRX_DEF nrx_status nrx_t_set(nrx_tensor *x, const nrx_tensor *y)
{
    nrx_status status = nrxi_t_writable("nrx_t_set", x, y ? y : NULL);
    nrx_tensor *from;
    if (status != NRX_OK || !y) return y ? status : NRX_E_ARG;
    nrx_t_begin(x->scope);
    from = nrxi_t_apart(x, (nrx_tensor *)y);
    if (from) nrxi_t_copy_into(x, from);
    else status = NRX_E_NOMEM;
    nrx_t_end(x->scope, NULL);
    return status;
}

NRX_DEF nrx_status nrx_t_fill(nrx_tensor *x, double value)
{
    nrx_status status = nrxi_t_writable("nrx_t_fill", x, NULL);
    nrx_tensor *v;
    if (status != NRX_OK) return status;
    nrx_t_begin(x->scope);
    v = nrx_t_scalar(x->scope, x->dtype, value);
    if (v) nrxi_t_copy_into(x, v);
    else status = NRX_E_NOMEM;
    nrx_t_end(x->scope, NULL);
    return status;
}

#define NRXI_T_AXPY_LOOP(T)                                                                     \
    {                                                                                         \
        T *y = (T *)(void *)p[0];                                                             \
        const T *a = (const T *)(const void *)p[1];                                           \
        T alpha = (T)m->c[0];                                                                 \
        for (i = 0; i < n; i++) y[(ptrdiff_t)i * st[0]] += alpha * a[(ptrdiff_t)i * st[1]];   \
    }
NRXI_FN void nrxi_t_axpy_kernel(const nrxi_t_map *m, size_t n, unsigned char *const *p, const ptrdiff_t *st)
{
    size_t i;
    if (m->kind == NRX_F32) NRXI_T_AXPY_LOOP(float)
    else if (m->kind == NRX_F64) NRXI_T_AXPY_LOOP(double)
    else for (i = 0; i < n; i++)
            ((int64_t *)(void *)p[0])[(ptrdiff_t)i * st[0]] +=
                nrxi_t_to_i64(m->c[0]) * ((const int64_t *)(const void *)p[1])[(ptrdiff_t)i * st[1]];
}
NRXI_FN void nrxi_t_axpy(nrx_tensor *x, double alpha, const nrx_tensor *y)
{
    const nrx_tensor *op[2];
    nrx_shape shape = nrx_t_shape(x);
    nrxi_t_map m;
    op[0] = x; op[1] = y;
    nrxi_t_map_make(&m, 2, op, &shape);
    m.kernel = nrxi_t_axpy_kernel;
    m.kind = x->dtype;
    m.c[0] = alpha;
    nrxi_t_map_run(x->scope, &m);
}
NRX_DEF nrx_status nrx_t_add_scaled(nrx_tensor *x, double alpha, const nrx_tensor *y)
{
    nrx_status status = nrxi_t_writable("nrx_t_add_scaled", x, y ? y : NULL);
    nrx_tensor *from;
    if (status != NRX_OK || !y) return y ? status : NRX_E_ARG;
    nrx_t_begin(x->scope);
    from = nrxi_t_apart(x, (nrx_tensor *)y);
    if (from) nrxi_t_axpy(x, alpha, from);
    else status = NRX_E_NOMEM;
    nrx_t_end(x->scope, NULL);
    return status;
}
NRX_DEF nrx_status nrx_t_touch(nrx_tensor *x) { return nrxi_t_writable("nrx_t_touch", x, NULL); }

/* -- views. One kind of view covers permute, slice, flip, select, diagonal and new axes: axis i of x stands
   at start[i] + step[i] * (index on axis map[i] of the view), or at start[i] when map[i] < 0. Its adjoint
   adds into zeros. -- */

typedef struct nrxi_t_view_info {
    nrx_shape from, to;
    int map[NRX_MAX_DIMS];
    size_t start[NRX_MAX_DIMS];
    ptrdiff_t step[NRX_MAX_DIMS];
} nrxi_t_view_info;

/* Attaches a copy of `bytes` of attributes to y when it is recorded. */
NRXI_FN nrx_tensor *nrxi_t_blob(nrx_tensor *y, const void *data, size_t bytes)
{
    nrx_scope *s;
    if (!y || !y->node->recorded) return y;
    s = y->scope;
    y->node->blob = nrxi_t_work(s, bytes, 1);
    if (y->node->blob) { memcpy(y->node->blob, data, bytes); return y; }
    nrxi_t_fail(s, NRX_E_NOMEM, "%s: out of memory for the graph", y->node->op->name);
    nrxi_t_disown(y);
    return NULL;
}

NRXI_FN void nrxi_t_view_apply(const nrxi_t_view_info *v, const nrx_tensor *x,
                             nrx_tensor *y) /* y: shape and strides of the view of x */
{
    ptrdiff_t offset = 0;
    int i;
    y->ndim = v->to.ndim;
    y->size = 1;
    for (i = 0; i < v->to.ndim; i++) { y->shape[i] = v->to.n[i]; y->stride[i] = 0; y->size *= v->to.n[i]; }
    for (i = 0; i < v->from.ndim; i++) {
        offset += (ptrdiff_t)v->start[i] * x->stride[i];
        if (v->map[i] >= 0) y->stride[v->map[i]] += v->step[i] * x->stride[i];
    }
    y->data = y->size ? (unsigned char *)x->data + offset * (ptrdiff_t)nrxi_dtype_size(x->dtype) : x->data;
}

/* The view that goes back, when v keeps every element; 0 when it does not. */
NRXI_FN int nrxi_t_view_invert(const nrxi_t_view_info *v, nrxi_t_view_info *u)
{
    int i, k;
    u->from = v->to;
    u->to = v->from;
    for (k = 0; k < v->to.ndim; k++) { u->map[k] = -1; u->start[k] = 0; u->step[k] = 0; }
    for (i = 0; i < v->from.ndim; i++) {
        k = v->map[i];
        if (k < 0) { if (v->from.n[i] != 1) return 0; continue; }
        if (v->to.n[k] != v->from.n[i] || (v->step[i] != 1 && v->step[i] != -1) || u->map[k] >= 0) return 0;
        u->map[k] = i;
        u->step[k] = v->step[i];
        u->start[k] = v->step[i] < 0 && v->from.n[i] ? v->from.n[i] - 1 : 0;
    }
    return 1;
}

NRXI_FN void nrxi_t_b_view(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx);
NRXI_FN void nrxi_t_b_view_adjoint(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx);
static const nrxi_t_op nrxi_t_op_permute = { "nrx_t_permute", nrxi_t_b_view, 0 };
static const nrxi_t_op nrxi_t_op_slice = { "nrx_t_slice", nrxi_t_b_view, 0 };
static const nrxi_t_op nrxi_t_op_diagonal = { "nrx_t_diagonal", nrxi_t_b_view, 0 };
static const nrxi_t_op nrxi_t_op_view_adjoint = { "nrx_t_pad", nrxi_t_b_view_adjoint, 0 };

NRXI_FN nrx_tensor *nrxi_t_view(const nrxi_t_op *op, nrx_tensor *x, const nrxi_t_view_info *v)
{
    nrx_tensor *y = nrxi_t_alias(x, op);
    if (!y) return NULL;
    nrxi_t_view_apply(v, x, y);
    return nrxi_t_blob(nrxi_t_link1(y, x), v, sizeof *v);
}

/* Zeros of shape v->from with g written at the elements of the view. */
NRXI_FN nrx_tensor *nrxi_t_view_adjoint(nrx_tensor *g, const nrxi_t_view_info *v)
{
    nrx_tensor *y, at;
    if (!nrxi_t_enter1("nrx_t_pad", g, 0)) return NULL;
    y = nrxi_t_new(g->scope, &nrxi_t_op_view_adjoint, g->dtype, v->from);
    if (!y) return NULL;
    memset(y->data, 0, y->size * nrxi_dtype_size(y->dtype));
    at = *y;
    nrxi_t_view_apply(v, y, &at);
    nrxi_t_copy_into(&at, g);
    return nrxi_t_blob(nrxi_t_link1(y, g), v, sizeof *v);
}

NRXI_FN void nrxi_t_b_view(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    const nrxi_t_view_info *v = (const nrxi_t_view_info *)y->node->blob;
    nrxi_t_view_info u;
    if (nrxi_t_view_invert(v, &u)) gx[0] = nrxi_t_view(&nrxi_t_op_permute, g, &u);
    else gx[0] = nrxi_t_view_adjoint(g, v);
}
NRXI_FN void nrxi_t_b_view_adjoint(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    gx[0] = nrxi_t_view(&nrxi_t_op_slice, g, (const nrxi_t_view_info *)y->node->blob);
}

/* The view that changes nothing, to start from. */
NRXI_FN nrxi_t_view_info nrxi_t_view_same(const nrx_tensor *x)
{
    nrxi_t_view_info v;
    int i;
    memset(&v, 0, sizeof v);
    v.from = v.to = nrx_t_shape(x);
    for (i = 0; i < NRX_MAX_DIMS; i++) { v.map[i] = i; v.start[i] = 0; v.step[i] = 1; }
    return v;
}

NRX_DEF nrx_tensor *nrx_t_permute(nrx_tensor *x, const int *order)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_permute", x, 0);
    nrxi_t_view_info v;
    unsigned seen = 0;
    int i;
    if (!s) return NULL;
    v = nrxi_t_view_same(x);
    for (i = 0; i < x->ndim; i++) {
        int k = order ? nrxi_t_axis("nrx_t_permute", x, order[i], x->ndim) : -1;
        if (k < 0) return order ? NULL : nrxi_t_fail(s, NRX_E_ARG, "nrx_t_permute: order is NULL");
        if (seen >> k & 1u) return nrxi_t_fail(s, NRX_E_ARG, "nrx_t_permute: axis %d appears twice", k);
        seen |= 1u << k;
        v.map[k] = i;
        v.to.n[i] = x->shape[k];
    }
    return nrxi_t_view(&nrxi_t_op_permute, x, &v);
}

NRX_DEF nrx_tensor *nrx_t_transpose(nrx_tensor *x, int a, int b)
{
    int order[NRX_MAX_DIMS], i;
    if (!nrxi_t_enter1("nrx_t_transpose", x, 0)) return NULL;
    a = nrxi_t_axis("nrx_t_transpose", x, a, x->ndim);
    b = nrxi_t_axis("nrx_t_transpose", x, b, x->ndim);
    if (a < 0 || b < 0) return NULL;
    for (i = 0; i < x->ndim; i++) order[i] = i == a ? b : i == b ? a : i;
    return nrx_t_permute(x, order);
}

NRX_DEF nrx_tensor *nrx_t_slice(nrx_tensor *x, int axis, ptrdiff_t start, ptrdiff_t stop, ptrdiff_t step)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_slice", x, 0);
    nrxi_t_view_info v;
    ptrdiff_t n, count;
    if (!s) return NULL;
    if (step == 0) return nrxi_t_fail(s, NRX_E_ARG, "nrx_t_slice: step 0");
    axis = nrxi_t_axis("nrx_t_slice", x, axis, x->ndim);
    if (axis < 0) return NULL;
    n = (ptrdiff_t)x->shape[axis];
    /* Python's rules: negative positions count from the end, then both are clipped */
    if (start == NRX_END) start = step > 0 ? 0 : n - 1;
    else if (start < 0) start = start + n < 0 ? (step > 0 ? 0 : -1) : start + n;
    if (start > n - (step < 0)) start = n - (step < 0);
    if (stop == NRX_END) stop = step > 0 ? n : -1;
    else if (stop < 0) stop = stop + n < 0 ? -(step < 0) : stop + n;
    if (stop > n) stop = n;
    if (step > 0) count = stop > start ? (stop - start - 1) / step + 1 : 0;
    else count = start > stop ? (start - stop - 1) / (step == PTRDIFF_MIN ? PTRDIFF_MAX : -step) + 1 : 0;
    v = nrxi_t_view_same(x);
    v.to.n[axis] = (size_t)count;
    v.start[axis] = count ? (size_t)start : 0;
    v.step[axis] = count > 1 ? step : 1;
    return nrxi_t_view(&nrxi_t_op_slice, x, &v);
}

NRX_DEF nrx_tensor *nrx_t_select(nrx_tensor *x, int axis, ptrdiff_t index)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_select", x, 0);
    nrxi_t_view_info v;
    nrxi_t_label_info a;
    ptrdiff_t n;
    int i;
    if (!s) return NULL;
    axis = nrxi_t_axis("nrx_t_select", x, axis, x->ndim);
    if (axis < 0) return NULL;
    n = (ptrdiff_t)x->shape[axis];
    if (index < -n || index >= n)
        return nrxi_t_fail(s, NRX_E_ARG, "nrx_t_select: index %ld on axis %d of %s", (long)index, axis,
                           nrxi_t_label(&a, x));
    v = nrxi_t_view_same(x);
    v.start[axis] = (size_t)(index < 0 ? index + n : index);
    v.map[axis] = -1;
    v.to.ndim--;
    for (i = axis + 1; i < x->ndim; i++) { v.map[i] = i - 1; v.to.n[i - 1] = x->shape[i]; }
    return nrxi_t_view(&nrxi_t_op_slice, x, &v);
}

NRX_DEF nrx_tensor *nrx_t_flip(nrx_tensor *x, unsigned axes)
{
    nrxi_t_view_info v;
    int i;
    if (!nrxi_t_enter1("nrx_t_flip", x, 0)) return NULL;
    axes = nrxi_t_axes("nrx_t_flip", x, axes, x->ndim);
    if (axes & 0x100u) return NULL;
    v = nrxi_t_view_same(x);
    for (i = 0; i < x->ndim; i++)
        if (axes >> i & 1u) {
            v.step[i] = -1;
            v.start[i] = x->shape[i] ? x->shape[i] - 1 : 0;
        }
    return nrxi_t_view(&nrxi_t_op_permute, x, &v);
}

NRX_DEF nrx_tensor *nrx_t_squeeze(nrx_tensor *x, unsigned axes)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_squeeze", x, 0);
    nrxi_t_view_info v;
    nrxi_t_label_info a;
    unsigned set;
    int i;
    if (!s) return NULL;
    set = nrxi_t_axes("nrx_t_squeeze", x, axes, x->ndim);
    if (set & 0x100u) return NULL;
    v = nrxi_t_view_same(x);
    v.to.ndim = 0;
    for (i = 0; i < x->ndim; i++) {
        if (set >> i & 1u && x->shape[i] == 1) { v.map[i] = -1; continue; }
        if (set >> i & 1u && !(axes & NRX_ALL_AXES))
            return nrxi_t_fail(s, NRX_E_SHAPE, "nrx_t_squeeze: axis %d of %s has size %zu", i,
                               nrxi_t_label(&a, x), x->shape[i]);
        v.map[i] = v.to.ndim;
        v.to.n[v.to.ndim++] = x->shape[i];
    }
    return nrxi_t_view(&nrxi_t_op_permute, x, &v);
}

NRX_DEF nrx_tensor *nrx_t_unsqueeze(nrx_tensor *x, int axis)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_unsqueeze", x, 0);
    nrxi_t_view_info v;
    int i;
    if (!s) return NULL;
    if (x->ndim == NRX_MAX_DIMS)
        return nrxi_t_fail(s, NRX_E_RANGE, "nrx_t_unsqueeze: more than %d axes", NRX_MAX_DIMS);
    axis = nrxi_t_axis("nrx_t_unsqueeze", x, axis, x->ndim + 1);
    if (axis < 0) return NULL;
    v = nrxi_t_view_same(x);
    v.to.ndim++;
    v.to.n[axis] = 1;
    for (i = axis; i < x->ndim; i++) { v.map[i] = i + 1; v.to.n[i + 1] = x->shape[i]; }
    return nrxi_t_view(&nrxi_t_op_permute, x, &v);
}

NRX_DEF nrx_tensor *nrx_t_diagonal(nrx_tensor *x, int a, int b)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_diagonal", x, 0);
    nrxi_t_view_info v;
    int i, nd = 0;
    if (!s) return NULL;
    a = nrxi_t_axis("nrx_t_diagonal", x, a, x->ndim);
    b = nrxi_t_axis("nrx_t_diagonal", x, b, x->ndim);
    if (a < 0 || b < 0) return NULL;
    if (a == b) return nrxi_t_fail(s, NRX_E_ARG, "nrx_t_diagonal: axis %d twice", a);
    v = nrxi_t_view_same(x);
    for (i = 0; i < x->ndim; i++) if (i != a && i != b) { v.map[i] = nd; v.to.n[nd++] = x->shape[i]; }
    v.map[a] = v.map[b] = nd;
    v.to.n[nd++] = x->shape[a] < x->shape[b] ? x->shape[a] : x->shape[b];
    v.to.ndim = nd;
    return nrxi_t_view(&nrxi_t_op_diagonal, x, &v);
}

NRX_DEF nrx_tensor *nrx_t_diag(nrx_tensor *x)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_diag", x, 0);
    nrxi_t_view_info v;
    int n;
    if (!s) return NULL;
    if (x->ndim < 1 || x->ndim == NRX_MAX_DIMS)
        return nrxi_t_fail(s, NRX_E_SHAPE, "nrx_t_diag: %d axes, expected 1 .. 7", x->ndim);
    v = nrxi_t_view_same(x);
    n = x->ndim;
    v.from.n[n] = v.from.n[n - 1];
    v.from.ndim = n + 1;
    v.map[n] = n - 1;
    return nrxi_t_view_adjoint(x, &v);
}

/* copies, casts, constants */

NRXI_FN void nrxi_t_b_same(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx) { (void)y; gx[0] = g; }
NRXI_FN void nrxi_t_b_cast(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    gx[0] = nrx_t_cast(g, NRXI_T_IN(y, 0)->dtype);
}
static const nrxi_t_op nrxi_t_op_copy = { "nrx_t_copy", nrxi_t_b_same, 0 };
static const nrxi_t_op nrxi_t_op_cast = { "nrx_t_cast", nrxi_t_b_cast, 0 };
static const nrxi_t_op nrxi_t_op_detach = { "nrx_t_detach", NULL, 0 };

NRXI_FN nrx_tensor *nrxi_t_copy_as(const nrxi_t_op *op, nrx_tensor *x, int dtype)
{
    nrx_tensor *y;
    if (!nrxi_t_enter1(op->name, x, 0)) return NULL;
    y = nrxi_t_new(x->scope, op, dtype, nrx_t_shape(x));
    if (!y) return NULL;
    nrxi_t_copy_into(y, x);
    return x->dtype == NRX_I64 ? y : nrxi_t_link1(y, x);
}
NRX_DEF nrx_tensor *nrx_t_copy(nrx_tensor *x)
{
    return x ? nrxi_t_copy_as(&nrxi_t_op_copy, x, x->dtype) : NULL;
}
NRX_DEF nrx_tensor *nrx_t_contiguous(nrx_tensor *x)
{
    if (!nrxi_t_enter1("nrx_t_contiguous", x, 0)) return NULL;
    return nrxi_t_is_contiguous(x) ? nrx_t_reshape(x, nrx_t_shape(x)) : nrx_t_copy(x);
}
NRX_DEF nrx_tensor *nrx_t_cast(nrx_tensor *x, int dtype)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_cast", x, 0);
    if (!s) return NULL;
    if (dtype != NRX_F32 && dtype != NRX_F64 && dtype != NRX_I64)
        return nrxi_t_fail(s, NRX_E_ARG, "nrx_t_cast: dtype %d", dtype);
    return nrxi_t_copy_as(&nrxi_t_op_cast, x, dtype);
}
NRX_DEF nrx_tensor *nrx_t_detach(nrx_tensor *x)
{
    nrx_tensor *y;
    if (!nrxi_t_enter1("nrx_t_detach", x, 0)) return NULL;
    y = nrxi_t_alias(x, &nrxi_t_op_detach);
    return y;
}

/* reshape */

NRXI_FN void nrxi_t_b_reshape(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    gx[0] = nrx_t_reshape(g, nrx_t_shape(NRXI_T_IN(y, 0)));
}
static const nrxi_t_op nrxi_t_op_reshape = { "nrx_t_reshape", nrxi_t_b_reshape, 0 };

/* Strides of a view of x with the new shape; 0 when only a copy can have it. */
NRXI_FN int nrxi_t_reshape_strides(const nrx_tensor *x, const nrx_shape *to, ptrdiff_t *stride)
{
    size_t n[NRX_MAX_DIMS];
    ptrdiff_t st[NRX_MAX_DIMS];
    int nd = 0, i, k = 0;
    if (x->size == 0) return 0;
    for (i = 0; i < x->ndim; i++) { /* axes of x, merged where they are walked as one */
        if (x->shape[i] == 1) continue;
        if (nd && st[nd - 1] == x->stride[i] * (ptrdiff_t)x->shape[i]) {
            n[nd - 1] *= x->shape[i];
            st[nd - 1] = x->stride[i];
        } else {
            n[nd] = x->shape[i];
            st[nd++] = x->stride[i];
        }
    }
    for (i = to->ndim - 1, k = nd - 1; i >= 0; i--) { /* from the last axis: split what was merged */
        if (to->n[i] == 1) { stride[i] = 1; continue; }
        if (k < 0 || n[k] % to->n[i]) return 0;
        stride[i] = st[k];
        st[k] *= (ptrdiff_t)to->n[i];
        n[k] /= to->n[i];
        if (n[k] == 1) k--;
    }
    return 1;
}

NRX_DEF nrx_tensor *nrx_t_reshape(nrx_tensor *x, nrx_shape shape)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_reshape", x, 0);
    nrx_tensor *y;
    nrxi_t_label_info a;
    ptrdiff_t stride[NRX_MAX_DIMS];
    size_t count = 1, size;
    int i, unknown = -1;
    if (!s) return NULL;
    if (shape.ndim < 0 || shape.ndim > NRX_MAX_DIMS)
        return nrxi_t_fail(s, NRX_E_ARG, "nrx_t_reshape: %d axes", shape.ndim);
    for (i = 0; i < shape.ndim; i++) {
        if (shape.n[i] == NRX_AUTO && unknown < 0) { unknown = i; continue; }
        if (!nrxi_mul_ok(count, shape.n[i], &count))
            return nrxi_t_fail(s, NRX_E_RANGE, "nrx_t_reshape: the shape overflows");
    }
    if (unknown >= 0) {
        shape.n[unknown] = count ? x->size / count : 0;
        count *= shape.n[unknown];
    }
    if (count != x->size || !nrxi_t_count(&shape, 8, &size))
        return nrxi_t_fail(s, NRX_E_SHAPE, "nrx_t_reshape: %s has %zu elements, the new shape %zu",
                           nrxi_t_label(&a, x), x->size, count);
    if (nrxi_t_reshape_strides(x, &shape, stride)) {
        y = nrxi_t_alias(x, &nrxi_t_op_reshape);
        if (!y) return NULL;
        nrxi_t_set_shape(y, &shape);
        memcpy(y->stride, stride, sizeof *stride * (size_t)shape.ndim);
    } else {
        nrx_tensor at;
        nrx_shape old = nrx_t_shape(x);
        y = nrxi_t_new(s, &nrxi_t_op_reshape, x->dtype, shape);
        if (!y) return NULL;
        at = *y;
        nrxi_t_set_shape(&at, &old);
        nrxi_t_copy_into(&at, x);
    }
    return nrxi_t_link1(y, x);
}

NRX_DEF nrx_tensor *nrx_t_flatten(nrx_tensor *x, int first_axis, int last_axis)
{
    nrx_shape to = NRX_ZERO;
    int i;
    if (!nrxi_t_enter1("nrx_t_flatten", x, 0)) return NULL;
    if (x->ndim == 0) return nrx_t_reshape(x, nrx_s1(1));
    first_axis = nrxi_t_axis("nrx_t_flatten", x, first_axis, x->ndim);
    last_axis = nrxi_t_axis("nrx_t_flatten", x, last_axis, x->ndim);
    if (first_axis < 0 || last_axis < 0) return NULL;
    if (last_axis < first_axis)
        return nrxi_t_fail(x->scope, NRX_E_ARG, "nrx_t_flatten: axes %d .. %d", first_axis, last_axis);
    to.ndim = 0;
    for (i = 0; i < x->ndim; i++) {
        if (i > first_axis && i <= last_axis) to.n[to.ndim - 1] *= x->shape[i];
        else to.n[to.ndim++] = x->shape[i];
    }
    return nrx_t_reshape(x, to);
}

/* broadcasting: a view with stride 0, whose adjoint sums */

/* g summed down to the shape that x had before broadcasting. */
NRXI_FN nrx_tensor *nrxi_t_sum_to(nrx_tensor *g, const nrx_tensor *x)
{
    unsigned axes = 0;
    int i, lead;
    if (!g || nrxi_t_same_shape(g, x)) return g;
    lead = g->ndim - x->ndim;
    for (i = 0; i < g->ndim; i++)
        if (i < lead || (x->shape[i - lead] == 1 && g->shape[i] != 1)) axes |= 1u << i;
    if (axes) g = nrx_t_sum(g, axes, 1);
    return nrx_t_reshape(g, nrx_t_shape(x));
}
NRXI_FN void nrxi_t_b_expand(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    gx[0] = nrxi_t_sum_to(g, NRXI_T_IN(y, 0));
}
static const nrxi_t_op nrxi_t_op_expand = { "nrx_t_expand", nrxi_t_b_expand, 0 };

NRX_DEF nrx_tensor *nrx_t_expand(nrx_tensor *x, nrx_shape shape)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_expand", x, 0);
    nrx_tensor *y;
    nrxi_t_label_info a;
    ptrdiff_t stride[NRX_MAX_DIMS];
    size_t count;
    int i, lead;
    if (!s) return NULL;
    lead = shape.ndim - x->ndim;
    if (lead < 0 || shape.ndim > NRX_MAX_DIMS)
        return nrxi_t_fail(s, NRX_E_SHAPE, "nrx_t_expand: %s to %d axes", nrxi_t_label(&a, x), shape.ndim);
    for (i = 0; i < shape.ndim; i++) {
        size_t old = i < lead ? 1 : x->shape[i - lead];
        if (shape.n[i] == NRX_AUTO) shape.n[i] = old;
        if (old != shape.n[i] && old != 1)
            return nrxi_t_fail(s, NRX_E_SHAPE, "nrx_t_expand: axis of %zu in %s cannot become %zu", old,
                               nrxi_t_label(&a, x), shape.n[i]);
        stride[i] = i < lead || old != shape.n[i] ? 0 : x->stride[i - lead];
    }
    if (!nrxi_t_count(&shape, 8, &count))
        return nrxi_t_fail(s, NRX_E_RANGE, "nrx_t_expand: the shape overflows");
    y = nrxi_t_alias(x, &nrxi_t_op_expand);
    if (!y) return NULL;
    nrxi_t_set_shape(y, &shape);
    memcpy(y->stride, stride, sizeof *stride * (size_t)shape.ndim);
    return nrxi_t_link1(y, x);
}

/* -- element-wise, two operands -- */

/* The common shape of a and b by NumPy's rule; 0 and an error when there is none. */
NRXI_FN int nrxi_t_broadcast(const char *name, const nrx_tensor *a, const nrx_tensor *b, nrx_shape *shape)
{
    nrxi_t_label_info la, lb;
    int i, ndim = a->ndim > b->ndim ? a->ndim : b->ndim;
    shape->ndim = ndim;
    for (i = 0; i < ndim; i++) {
        int ia = i - (ndim - a->ndim), ib = i - (ndim - b->ndim);
        size_t na = ia < 0 ? 1 : a->shape[ia], nb = ib < 0 ? 1 : b->shape[ib];
        if (na != nb && na != 1 && nb != 1) {
            nrxi_t_fail(a->scope, NRX_E_SHAPE, "%s: %s and %s do not broadcast (axis %d: %zu and %zu)", name,
                        nrxi_t_label(&la, a), nrxi_t_label(&lb, b), i - ndim, na, nb);
            return 0;
        }
        shape->n[i] = na == 1 ? nb : na;
    }
    return 1;
}

NRXI_FN void nrxi_t_b_add(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    if (NRXI_T_WANTS(y, 0)) gx[0] = nrxi_t_sum_to(g, NRXI_T_IN(y, 0));
    if (NRXI_T_WANTS(y, 1)) gx[1] = nrxi_t_sum_to(g, NRXI_T_IN(y, 1));
}
NRXI_FN void nrxi_t_b_sub(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    if (NRXI_T_WANTS(y, 0)) gx[0] = nrxi_t_sum_to(g, NRXI_T_IN(y, 0));
    if (NRXI_T_WANTS(y, 1)) gx[1] = nrx_t_neg(nrxi_t_sum_to(g, NRXI_T_IN(y, 1)));
}
NRXI_FN void nrxi_t_b_mul(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    if (NRXI_T_WANTS(y, 0)) gx[0] = nrxi_t_sum_to(nrx_t_mul(g, NRXI_T_IN(y, 1)), NRXI_T_IN(y, 0));
    if (NRXI_T_WANTS(y, 1)) gx[1] = nrxi_t_sum_to(nrx_t_mul(g, NRXI_T_IN(y, 0)), NRXI_T_IN(y, 1));
}
NRXI_FN void nrxi_t_b_div(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    nrx_tensor *a = NRXI_T_IN(y, 0), *b = NRXI_T_IN(y, 1), *q = nrx_t_div(g, b);
    if (NRXI_T_WANTS(y, 0)) gx[0] = nrxi_t_sum_to(q, a);
    if (NRXI_T_WANTS(y, 1)) gx[1] = nrx_t_neg(nrxi_t_sum_to(nrx_t_mul(q, nrx_t_div(a, b)), b));
}
NRXI_FN void nrxi_t_b_pow(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    nrx_tensor *a = NRXI_T_IN(y, 0), *b = NRXI_T_IN(y, 1);
    if (NRXI_T_WANTS(y, 0))
        gx[0] = nrxi_t_sum_to(nrx_t_mul(g, nrx_t_mul(b, nrx_t_pow(a, nrx_t_shift(b, -1)))), a);
    if (NRXI_T_WANTS(y, 1)) { /* y log(a), with log(1) in place of log(0) */
        nrx_tensor *zero = nrx_t_scalar(y->scope, y->dtype, 0), *one = nrx_t_scalar(y->scope, y->dtype, 1);
        nrx_tensor *safe = nrx_t_where(nrx_t_eq(a, zero), one, a);
        gx[1] = nrxi_t_sum_to(nrx_t_mul(nrx_t_mul(g, nrx_t_pow(a, b)), nrx_t_log(safe)), b);
    }
}
NRXI_FN void nrxi_t_b_atan2(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    nrx_tensor *a = NRXI_T_IN(y, 0), *b = NRXI_T_IN(y, 1),
               *q = nrx_t_div(g, nrx_t_add(nrx_t_square(a), nrx_t_square(b)));
    if (NRXI_T_WANTS(y, 0)) gx[0] = nrxi_t_sum_to(nrx_t_mul(q, b), a);
    if (NRXI_T_WANTS(y, 1)) gx[1] = nrx_t_neg(nrxi_t_sum_to(nrx_t_mul(q, a), b));
}
NRXI_FN void nrxi_t_b_maximum(nrx_tensor *y, nrx_tensor *g,
                            nrx_tensor **gx) /* masks 1, 1/2, 0: for the minimum the other way round */
{
    nrx_tensor *a = NRXI_T_IN(y, 0), *b = NRXI_T_IN(y, 1);
    nrx_tensor *mask = nrx_t_scale(nrx_t_add(nrx_t_gt(a, b), nrx_t_ge(a, b)), 0.5);
    nrx_tensor *rest = nrx_t_affine(mask, -1, 1);
    int largest = y->node->k[0] == NRXI_T_MAX;
    if (NRXI_T_WANTS(y, 0)) gx[0] = nrxi_t_sum_to(nrx_t_mul(g, largest ? mask : rest), a);
    if (NRXI_T_WANTS(y, 1)) gx[1] = nrxi_t_sum_to(nrx_t_mul(g, largest ? rest : mask), b);
}
NRXI_FN nrx_tensor *nrxi_t_gate(nrx_tensor *g, nrx_tensor *x, double slope);
NRXI_FN void nrxi_t_b_gate(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    if (NRXI_T_WANTS(y, 0))
        gx[0] = nrxi_t_gate(g, NRXI_T_IN(y, 1),
                            y->node->c[0]); /* piecewise linear: nothing flows to the switch */
}

NRXI_FN nrx_tensor *nrxi_t_binary(const nrxi_t_op *op, int kind, nrx_tensor *a, nrx_tensor *b, double c)
{
    nrx_scope *s = nrxi_t_enter2(op->name, a, b, NRXI_T_SAME);
    const nrx_tensor *operand[3];
    nrx_shape shape;
    nrx_tensor *y;
    nrxi_t_map m;
    if (!s || !nrxi_t_broadcast(op->name, a, b, &shape)) return NULL;
    if (a->dtype == NRX_I64 &&
        (kind == NRXI_T_DIV || kind == NRXI_T_POW || kind == NRXI_T_ATAN2 || kind == NRXI_T_GATE)) {
        nrxi_t_enter1(op->name, a, NRXI_T_FLOAT);
        return NULL;
    }
    y = nrxi_t_new(s, op, a->dtype, shape);
    if (!y) return NULL;
    operand[0] = y; operand[1] = a; operand[2] = b;
    nrxi_t_map_make(&m, 3, operand, &shape);
    m.kind = kind;
    m.c[0] = c;
    m.kernel = a->dtype == NRX_F32   ? nrxi_t_binary_f32
               : a->dtype == NRX_F64 ? nrxi_t_binary_f64
                                     : nrxi_t_binary_i64;
    nrxi_t_map_run(s, &m);
    y->node->k[0] = kind;
    y->node->c[0] = c;
    return nrxi_t_link2(y, a, b);
}
#define NRXI_T_BINARY(name, kind, back, save)                                                                \
    static const nrxi_t_op nrxi_t_op_##name = {"nrx_t_" #name, back, save};                                  \
    NRX_DEF nrx_tensor *nrx_t_##name(nrx_tensor *a, nrx_tensor *b)                                           \
    {                                                                                                        \
        return nrxi_t_binary(&nrxi_t_op_##name, kind, a, b, 0);                                              \
    }
NRXI_T_BINARY(add, NRXI_T_ADD, nrxi_t_b_add, 0)
NRXI_T_BINARY(sub, NRXI_T_SUB, nrxi_t_b_sub, 0)
NRXI_T_BINARY(mul, NRXI_T_MUL, nrxi_t_b_mul, 3)
NRXI_T_BINARY(div, NRXI_T_DIV, nrxi_t_b_div, 3)
NRXI_T_BINARY(pow, NRXI_T_POW, nrxi_t_b_pow, 3)
NRXI_T_BINARY(atan2, NRXI_T_ATAN2, nrxi_t_b_atan2, 3)
NRXI_T_BINARY(maximum, NRXI_T_MAX, nrxi_t_b_maximum, 3)
NRXI_T_BINARY(minimum, NRXI_T_MIN, nrxi_t_b_maximum, 3)
NRXI_T_BINARY(eq, NRXI_T_EQ, NULL, 0)
NRXI_T_BINARY(ne, NRXI_T_NE, NULL, 0)
NRXI_T_BINARY(lt, NRXI_T_LT, NULL, 0)
NRXI_T_BINARY(le, NRXI_T_LE, NULL, 0)
NRXI_T_BINARY(gt, NRXI_T_GT, NULL, 0)
NRXI_T_BINARY(ge, NRXI_T_GE, NULL, 0)
static const nrxi_t_op nrxi_t_op_gate = { "nrx_t_leaky_relu (gradient)", nrxi_t_b_gate, 2 };
NRXI_FN nrx_tensor *nrxi_t_gate(nrx_tensor *g, nrx_tensor *x,
                                double slope) /* g where x > 0, slope g elsewhere */
{
    return nrxi_t_binary(&nrxi_t_op_gate, NRXI_T_GATE, g, x, slope);
}

/* where */

NRXI_GLUE_END
NRXI_FN void nrxi_t_where_kernel(const nrxi_t_map *m, size_t n, unsigned char *const *p, const ptrdiff_t *st)
{
    size_t i, size = m->size[0];
    for (i = 0; i < n; i++) {
        const unsigned char *mask = p[1] + (ptrdiff_t)i * st[1] * (ptrdiff_t)m->size[1];
        int on = m->kind == NRX_F32   ? *(const float *)(const void *)mask != 0
                 : m->kind == NRX_F64 ? *(const double *)(const void *)mask != 0
                                      : *(const int64_t *)(const void *)mask != 0;
        memcpy(p[0] + (ptrdiff_t)i * st[0] * (ptrdiff_t)size,
               on ? p[2] + (ptrdiff_t)i * st[2] * (ptrdiff_t)size
                  : p[3] + (ptrdiff_t)i * st[3] * (ptrdiff_t)size,
               size);
    }
}
NRXI_GLUE_BEGIN
NRXI_FN void nrxi_t_b_where(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    nrx_tensor *mask = NRXI_T_IN(y, 0), *zero = nrx_t_scalar(y->scope, y->dtype, 0);
    if (NRXI_T_WANTS(y, 1)) gx[1] = nrxi_t_sum_to(nrx_t_where(mask, g, zero), NRXI_T_IN(y, 1));
    if (NRXI_T_WANTS(y, 2)) gx[2] = nrxi_t_sum_to(nrx_t_where(mask, zero, g), NRXI_T_IN(y, 2));
}
static const nrxi_t_op nrxi_t_op_where = { "nrx_t_where", nrxi_t_b_where, 1 };
NRX_DEF nrx_tensor *nrx_t_where(nrx_tensor *mask, nrx_tensor *a, nrx_tensor *b)
{
    nrx_tensor *in[3], *y, wide;
    const nrx_tensor *operand[4];
    nrx_shape shape;
    nrxi_t_map m;
    in[0] = mask; in[1] = a; in[2] = b;
    if (!nrxi_t_enter("nrx_t_where", in, 3, 0) || !nrxi_t_enter2("nrx_t_where", a, b, NRXI_T_SAME))
        return NULL;
    if (!nrxi_t_broadcast("nrx_t_where", a, b, &shape)) return NULL;
    wide = *a;
    wide.ndim = shape.ndim;
    memcpy(wide.shape, shape.n, sizeof wide.shape);
    if (!nrxi_t_broadcast("nrx_t_where", mask, &wide, &shape)) return NULL;
    y = nrxi_t_new(a->scope, &nrxi_t_op_where, a->dtype, shape);
    if (!y) return NULL;
    operand[0] = y; operand[1] = mask; operand[2] = a; operand[3] = b;
    nrxi_t_map_make(&m, 4, operand, &shape);
    m.kind = mask->dtype;
    m.kernel = nrxi_t_where_kernel;
    nrxi_t_map_run(a->scope, &m);
    return nrxi_t_link(y, in, 3);
}

/* -- element-wise, one operand. X(name, what the gradient reads: 1 = x, NRXI_T_SAVE_OUT = the result) -- */

#define NRXI_T_UNARY_LIST(X)                                                                                 \
    X(neg, 0)                                                                                                \
    X(abs, 1) X(sign, 0) X(floor, 0) X(ceil, 0) X(round, 0) X(square, 1) X(sqrt, NRXI_T_SAVE_OUT)            \
        X(rsqrt, NRXI_T_SAVE_OUT) X(reciprocal, NRXI_T_SAVE_OUT) X(exp, NRXI_T_SAVE_OUT) X(expm1, NRXI_T_SAVE_OUT) \
            X(log, 1) X(log1p, 1) X(sin, 1) X(cos, 1) X(tan, NRXI_T_SAVE_OUT) X(asin, 1) X(acos, 1) X(atan, 1) \
                X(sinh, 1) X(cosh, 1) X(tanh, NRXI_T_SAVE_OUT) X(sigmoid, NRXI_T_SAVE_OUT) X(softplus, 1)    \
                    X(silu, 1) X(erf, 1) X(gelu, 1) X(relu, 1)
#define NRXI_T_X_(name, save) NRXI_T_U_##name,
enum {
    NRXI_T_UNARY_LIST(NRXI_T_X_) NRXI_T_U_affine,
    NRXI_T_U_pow,
    NRXI_T_U_clamp,
    NRXI_T_U_leaky,
    NRXI_T_U_elu
};
#undef NRXI_T_X_

NRXI_FN nrx_tensor *nrxi_t_unary(int kind, nrx_tensor *x, double c0, double c1);

/* gx = g times the derivative, written with operators. */
NRXI_FN void nrxi_t_b_unary(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    nrx_tensor *x = NRXI_T_IN(y, 0), *d = NULL;
    double c0 = y->node->c[0], c1 = y->node->c[1];
    switch ((int)y->node->k[0]) {
    case NRXI_T_U_neg: gx[0] = nrx_t_neg(g); return;
    case NRXI_T_U_affine: gx[0] = nrx_t_scale(g, c0); return;
    case NRXI_T_U_sign:
    case NRXI_T_U_floor:
    case NRXI_T_U_ceil:
    case NRXI_T_U_round: gx[0] = nrx_t_scale(g, 0); return;
    case NRXI_T_U_relu: gx[0] = nrxi_t_gate(g, x, 0); return;
    case NRXI_T_U_leaky: gx[0] = nrxi_t_gate(g, x, c0); return;
    case NRXI_T_U_abs: d = nrx_t_sign(x); break;
    case NRXI_T_U_square: d = nrx_t_scale(x, 2); break;
    case NRXI_T_U_sqrt: gx[0] = nrx_t_div(nrx_t_scale(g, 0.5), y); return;
    case NRXI_T_U_rsqrt: d = nrx_t_scale(nrx_t_mul(y, nrx_t_square(y)), -0.5); break;
    case NRXI_T_U_reciprocal: d = nrx_t_neg(nrx_t_square(y)); break;
    case NRXI_T_U_exp: d = y; break;
    case NRXI_T_U_expm1: d = nrx_t_shift(y, 1); break;
    case NRXI_T_U_log: gx[0] = nrx_t_div(g, x); return;
    case NRXI_T_U_log1p: gx[0] = nrx_t_div(g, nrx_t_shift(x, 1)); return;
    case NRXI_T_U_sin: d = nrx_t_cos(x); break;
    case NRXI_T_U_cos: d = nrx_t_neg(nrx_t_sin(x)); break;
    case NRXI_T_U_tan: d = nrx_t_shift(nrx_t_square(y), 1); break;
    case NRXI_T_U_asin: d = nrx_t_rsqrt(nrx_t_affine(nrx_t_square(x), -1, 1)); break;
    case NRXI_T_U_acos: d = nrx_t_neg(nrx_t_rsqrt(nrx_t_affine(nrx_t_square(x), -1, 1))); break;
    case NRXI_T_U_atan: d = nrx_t_reciprocal(nrx_t_shift(nrx_t_square(x), 1)); break;
    case NRXI_T_U_sinh: d = nrx_t_cosh(x); break;
    case NRXI_T_U_cosh: d = nrx_t_sinh(x); break;
    case NRXI_T_U_tanh: d = nrx_t_affine(nrx_t_square(y), -1, 1); break;
    case NRXI_T_U_sigmoid: d = nrx_t_mul(y, nrx_t_affine(y, -1, 1)); break;
    case NRXI_T_U_softplus: d = nrx_t_sigmoid(x); break;
    case NRXI_T_U_silu: /* s + x s (1 - s) */
        d = nrx_t_sigmoid(x);
        d = nrx_t_mul(d, nrx_t_shift(nrx_t_mul(x, nrx_t_affine(d, -1, 1)), 1));
        break;
    case NRXI_T_U_erf: d = nrx_t_scale(nrx_t_exp(nrx_t_neg(nrx_t_square(x))), 1.1283791670955126); break;
    case NRXI_T_U_gelu: /* Phi(x) + x phi(x) */
        d = nrx_t_affine(nrx_t_erf(nrx_t_scale(x, 0.70710678118654752)), 0.5, 0.5);
        d = nrx_t_add(d, nrx_t_scale(nrx_t_mul(x, nrx_t_exp(nrx_t_scale(nrx_t_square(x), -0.5))),
                                     0.39894228040143268));
        break;
    case NRXI_T_U_pow: d = nrx_t_scale(nrx_t_pow_scalar(x, c0 - 1), c0); break;
    case NRXI_T_U_clamp: {
        nrx_tensor *lo = nrx_t_scalar(y->scope, y->dtype, c0), *hi = nrx_t_scalar(y->scope, y->dtype, c1);
        d = nrx_t_mul(nrx_t_ge(x, lo), nrx_t_le(x, hi));
        break;
    }
    default: { /* elu: 1 where x > 0, else alpha exp(x) = elu + alpha */
        nrx_tensor *zero = nrx_t_scalar(y->scope, y->dtype, 0), *one = nrx_t_scalar(y->scope, y->dtype, 1);
        d = nrx_t_where(nrx_t_gt(x, zero), one, nrx_t_scale(nrx_t_exp(nrx_t_minimum(x, zero)), c0));
    }
    }
    gx[0] = nrx_t_mul(g, d);
}
#define NRXI_T_X_(name, save) { "nrx_t_" #name, nrxi_t_b_unary, save },
static const nrxi_t_op nrxi_t_op_unary[] = {NRXI_T_UNARY_LIST(NRXI_T_X_){"nrx_t_affine", nrxi_t_b_unary, 0},
                                        {"nrx_t_pow_scalar", nrxi_t_b_unary, 1},
                                        {"nrx_t_clamp", nrxi_t_b_unary, 1},
                                        {"nrx_t_leaky_relu", nrxi_t_b_unary, 1},
                                        {"nrx_t_elu", nrxi_t_b_unary, 1}};
#undef NRXI_T_X_

NRXI_GLUE_END
/* At most 256 contiguous values, a multiple of eight, x and y apart. */
#define NRXI_T_MAP1(E)                                                                                       \
    for (; i < n; i += 8)                                                                                    \
        for (j = 0; j < 8; j++) {                                                                            \
            T u = x[i + j];                                                                                  \
            y[i + j] = (T)(E);                                                                               \
        }                                                                                                    \
    break;
#define NRXI_T_MAP2(E) for (i = 0; i < n; i++) { T u = x[i], v = t[i]; y[i] = (T)(E); } break;
#define NRXI_T_UNARY_KERNEL(TYPE, S, F)                                                                      \
    NRXI_FN void nrxi_t_unary_##S(int kind, double a0, double a1, size_t n, const TYPE *NRX_RESTRICT x,      \
                                TYPE *NRX_RESTRICT y)                                                        \
    {                                                                                                        \
        typedef TYPE T;                                                                                      \
        size_t i = 0, j;                                                                                     \
        const T c0 = (T)a0, c1 = (T)a1;                                                                      \
        T t[256], (*call)(T) = NULL;                                                                         \
        switch (kind) {                                                                                      \
        case NRXI_T_U_neg: NRXI_T_MAP1(-u)                                                                   \
        case NRXI_T_U_affine: NRXI_T_MAP1(c0 *u + c1)                                                        \
        case NRXI_T_U_abs: NRXI_T_MAP1(F(fabs)(u))                                                           \
        case NRXI_T_U_sign: NRXI_T_MAP1(u > 0 ? 1 : u < 0 ? -1 : u)                                          \
        case NRXI_T_U_floor: call = F(floor); break;                                                         \
        case NRXI_T_U_ceil: call = F(ceil); break;                                                           \
        case NRXI_T_U_round: call = F(rint); break;                                                          \
        case NRXI_T_U_square: NRXI_T_MAP1(u *u)                                                              \
        case NRXI_T_U_sqrt: NRXI_T_MAP1(F(sqrt)(u))                                                          \
        case NRXI_T_U_rsqrt: NRXI_T_MAP1(1 / F(sqrt)(u))                                                     \
        case NRXI_T_U_reciprocal: NRXI_T_MAP1(1 / u)                                                         \
        case NRXI_T_U_relu: NRXI_T_MAP1(u > 0 || u != u ? u : 0)                                             \
        case NRXI_T_U_leaky: NRXI_T_MAP1(u > 0 ? u : c0 * u)                                                 \
        case NRXI_T_U_clamp: NRXI_T_MAP1(u<c0 ? c0 : u> c1 ? c1 : u)                                         \
        case NRXI_T_U_exp: nrxi_vexp_##S(n, x, y); break;                                                    \
        case NRXI_T_U_expm1: nrxi_vexpm1_##S(n, x, y); break;                                                \
        case NRXI_T_U_log: nrxi_vlog_##S(n, x, y); break;                                                    \
        case NRXI_T_U_log1p: nrxi_vlog1p_##S(n, x, y); break;                                                \
        case NRXI_T_U_sin: nrxi_vsin_##S(n, x, y); break;                                                    \
        case NRXI_T_U_cos: nrxi_vcos_##S(n, x, y); break;                                                    \
        case NRXI_T_U_tanh: nrxi_vtanh_##S(n, x, y); break;                                                  \
        case NRXI_T_U_sigmoid: nrxi_vsigmoid_##S(n, x, y); break;                                            \
        case NRXI_T_U_softplus: nrxi_vsoftplus_##S(n, x, y); break;                                          \
        case NRXI_T_U_erf: nrxi_verf_##S(n, x, y); break;                                                    \
        case NRXI_T_U_tan: call = F(tan); break;                                                             \
        case NRXI_T_U_asin: call = F(asin); break;                                                           \
        case NRXI_T_U_acos: call = F(acos); break;                                                           \
        case NRXI_T_U_atan: call = F(atan); break;                                                           \
        case NRXI_T_U_sinh: call = F(sinh); break;                                                           \
        case NRXI_T_U_cosh: call = F(cosh); break;                                                           \
        case NRXI_T_U_pow: for (; i < n; i++) y[i] = F(pow)(x[i], c0); break;                                \
        case NRXI_T_U_elu: nrxi_vexpm1_##S(n, x, t); NRXI_T_MAP2(u > 0 ? u : c0 * v)                         \
        case NRXI_T_U_silu: nrxi_vsigmoid_##S(n, x, t); NRXI_T_MAP2(u *v)                                    \
        case NRXI_T_U_gelu:                                                                                  \
            for (i = 0; i < n; i++) y[i] = x[i] * (T)0.70710678118654752;                                    \
            nrxi_verf_##S(n, y, t);                                                                          \
            NRXI_T_MAP2((T)0.5 * u * (1 + v))                                                                \
        default: break;                                                                                      \
        }                                                                                                    \
        if (call) for (; i < n; i++) y[i] = call(x[i]);                                                      \
    }                                                                                                        \
    NRXI_FN void nrxi_t_unary_map_##S(const nrxi_t_map *m, size_t n, unsigned char *const *p,                \
                                      const ptrdiff_t *st)                                                   \
    {                                                                                                        \
        TYPE *y = (TYPE *)(void *)p[0], gathered[256], last[256];                                            \
        const TYPE *x = (const TYPE *)(const void *)p[1], *from;                                             \
        size_t i, k, len;                                                                                    \
        for (i = 0; i < n; i += len) {                                                                       \
            len = n - i < 256 ? n - i : 256;                                                                 \
            from = x + i;                                                                                    \
            if (st[1] != 1 || len % 8) {                                                                     \
                for (k = 0; k < len; k++) gathered[k] = x[(ptrdiff_t)(i + k) * st[1]];                       \
                for (; k % 8; k++) gathered[k] = gathered[len - 1];                                          \
                from = gathered;                                                                             \
            }                                                                                                \
            if (len % 8 == 0) { nrxi_t_unary_##S(m->kind, m->c[0], m->c[1], len, from, y + i); continue; }   \
            nrxi_t_unary_##S(m->kind, m->c[0], m->c[1], (len + 7) / 8 * 8, from, last);                      \
            memcpy(y + i, last, len * sizeof *y);                                                            \
        }                                                                                                    \
    }
#define NRXI_T_SAME_NAME(name) name
#define NRXI_T_FLOAT_NAME(name) name##f
NRXI_T_UNARY_KERNEL(float, f32, NRXI_T_FLOAT_NAME)
NRXI_T_UNARY_KERNEL(double, f64, NRXI_T_SAME_NAME)

NRXI_GLUE_BEGIN
NRXI_FN nrx_tensor *nrxi_t_unary(int kind, nrx_tensor *x, double c0, double c1)
{
    const nrxi_t_op *op = &nrxi_t_op_unary[kind];
    nrx_scope *s = nrxi_t_enter1(op->name, x, NRXI_T_FLOAT);
    const nrx_tensor *operand[2];
    nrx_shape shape;
    nrx_tensor *y;
    nrxi_t_map m;
    if (!s) return NULL;
    shape = nrx_t_shape(x);
    y = nrxi_t_new(s, op, x->dtype, shape);
    if (!y) return NULL;
    operand[0] = y; operand[1] = x;
    nrxi_t_map_make(&m, 2, operand, &shape);
    m.kind = kind;
    m.c[0] = c0;
    m.c[1] = c1;
    m.kernel = x->dtype == NRX_F32 ? nrxi_t_unary_map_f32 : nrxi_t_unary_map_f64;
    nrxi_t_map_run(s, &m);
    y->node->k[0] = kind;
    y->node->c[0] = c0;
    y->node->c[1] = c1;
    return nrxi_t_link1(y, x);
}
#define NRXI_T_X_(name, save)                                                                                \
    NRX_DEF nrx_tensor *nrx_t_##name(nrx_tensor *x) { return nrxi_t_unary(NRXI_T_U_##name, x, 0, 0); }
NRXI_T_UNARY_LIST(NRXI_T_X_)
#undef NRXI_T_X_
NRX_DEF nrx_tensor *nrx_t_affine(nrx_tensor *x, double scale, double shift)
{
    return nrxi_t_unary(NRXI_T_U_affine, x, scale, shift);
}
NRX_DEF nrx_tensor *nrx_t_scale(nrx_tensor *x, double c) { return nrxi_t_unary(NRXI_T_U_affine, x, c, 0); }
NRX_DEF nrx_tensor *nrx_t_shift(nrx_tensor *x, double c) { return nrxi_t_unary(NRXI_T_U_affine, x, 1, c); }
NRX_DEF nrx_tensor *nrx_t_clamp(nrx_tensor *x, double lo, double hi)
{
    return nrxi_t_unary(NRXI_T_U_clamp, x, lo, hi);
}
NRX_DEF nrx_tensor *nrx_t_leaky_relu(nrx_tensor *x, double slope)
{
    return nrxi_t_unary(NRXI_T_U_leaky, x, slope, 0);
}
NRX_DEF nrx_tensor *nrx_t_elu(nrx_tensor *x, double alpha) { return nrxi_t_unary(NRXI_T_U_elu, x, alpha, 0); }
NRX_DEF nrx_tensor *nrx_t_pow_scalar(nrx_tensor *x, double p)
{
    if (p == 2) return nrx_t_square(x);
    if (p == 1) return nrx_t_affine(x, 1, 0);
    if (p == 0) return nrx_t_affine(x, 0, 1);
    return nrxi_t_unary(NRXI_T_U_pow, x, p, 0);
}
NRX_DEF nrx_tensor *nrx_t_dropout(nrx_tensor *x, double p, nrx_rng *r)
{
    nrx_tensor *y;
    if (!nrxi_t_enter1("nrx_t_dropout", x, NRXI_T_FLOAT)) return NULL;
    nrx_t_begin(x->scope);
    y = nrx_t_mul(x, nrx_t_dropout_mask(x->scope, x->dtype, nrx_t_shape(x), p, r));
    return nrx_t_end(x->scope, y);
}

/* masks of triangles */

NRXI_FN nrx_tensor *nrxi_t_triangle(const char *name, nrx_tensor *x, ptrdiff_t k, int upper)
{
    nrx_scope *s = nrxi_t_enter1(name, x, 0);
    nrx_tensor *mask, *zero;
    nrxi_t_label_info a;
    size_t i, j, m, n;
    if (!s) return NULL;
    if (x->ndim < 2) return nrxi_t_fail(s, NRX_E_SHAPE, "%s: %s is not a matrix", name, nrxi_t_label(&a, x));
    m = x->shape[x->ndim - 2];
    n = x->shape[x->ndim - 1];
    nrx_t_begin(s);
    mask = nrx_t_empty(s, NRX_F32, nrx_s2(m, n));
    zero = nrx_t_scalar(s, x->dtype, 0);
    if (mask)
        for (i = 0; i < m; i++)
            for (j = 0; j < n; j++) {
                ptrdiff_t d = (ptrdiff_t)j - (ptrdiff_t)i;
                ((float *)mask->data)[i * n + j] = (upper ? d >= k : d <= k) ? 1.0f : 0.0f;
            }
    return nrx_t_end(s, nrx_t_where(mask, x, zero));
}
NRX_DEF nrx_tensor *nrx_t_tril(nrx_tensor *x, ptrdiff_t k) { return nrxi_t_triangle("nrx_t_tril", x, k, 0); }
NRX_DEF nrx_tensor *nrx_t_triu(nrx_tensor *x, ptrdiff_t k) { return nrxi_t_triangle("nrx_t_triu", x, k, 1); }

NRXI_GLUE_END

/* -- sums. Outputs are independent: each is a sum over `run` (inner) times `outer` reduced positions. f32
   adds up in f64; f64 in blocks of 128 folded pairwise, and runs are joined with a compensation. -- */

NRXI_FN double nrxi_t_sum_f64(size_t n, const double *x, ptrdiff_t st)
{
    double a[4] = {0, 0, 0, 0};
    size_t i, half;
    if (n > 128) {
        half = n / 2 & ~(size_t)127;
        if (half == 0) half = 128;
        return nrxi_t_sum_f64(half, x, st) + nrxi_t_sum_f64(n - half, x + (ptrdiff_t)half * st, st);
    }
    for (i = 0; i + 4 <= n; i += 4) {
        const double *p = x + (ptrdiff_t)i * st;
        a[0] += p[0]; a[1] += p[st]; a[2] += p[2 * st]; a[3] += p[3 * st];
    }
    for (; i < n; i++) a[0] += x[(ptrdiff_t)i * st];
    return (a[0] + a[1]) + (a[2] + a[3]);
}
NRXI_FN double nrxi_t_sum_f32(size_t n, const float *x, ptrdiff_t st)
{
    double a[4] = {0, 0, 0, 0};
    size_t i;
    for (i = 0; i + 4 <= n; i += 4) {
        const float *p = x + (ptrdiff_t)i * st;
        a[0] += (double)p[0]; a[1] += (double)p[st]; a[2] += (double)p[2 * st]; a[3] += (double)p[3 * st];
    }
    for (; i < n; i++) a[0] += (double)x[(ptrdiff_t)i * st];
    return (a[0] + a[1]) + (a[2] + a[3]);
}

typedef struct nrxi_t_sum {
    int dtype, nk, nr;                     /* kept and reduced axes, merged */
    size_t kn[NRX_MAX_DIMS], rn[NRX_MAX_DIMS], outputs, outer, per_chunk;
    ptrdiff_t ks[NRX_MAX_DIMS], rs[NRX_MAX_DIMS];
    const unsigned char *x;
    void *y;
    double *partial;                       /* one output from one long contiguous array: sums of its chunks */
} nrxi_t_sum;

NRXI_FN int nrxi_t_sum_axes(const nrx_tensor *x, unsigned set, size_t *n,
                          ptrdiff_t *st) /* merges the axes of a set */
{
    int i, nd = 0;
    for (i = 0; i < x->ndim; i++) {
        if (!(set >> i & 1u) || x->shape[i] == 1) continue;
        if (nd && st[nd - 1] == x->stride[i] * (ptrdiff_t)x->shape[i]) {
            n[nd - 1] *= x->shape[i];
            st[nd - 1] = x->stride[i];
        } else {
            n[nd] = x->shape[i];
            st[nd++] = x->stride[i];
        }
    }
    if (nd == 0) { n[0] = 1; st[0] = 1; nd = 1; }
    return nd;
}

NRXI_FN ptrdiff_t nrxi_t_sum_offset(size_t index, int nd, const size_t *n, const ptrdiff_t *st)
{
    ptrdiff_t offset = 0;
    int d;
    for (d = nd - 1; d >= 0; d--) { offset += (ptrdiff_t)(index % n[d]) * st[d]; index /= n[d]; }
    return offset;
}

NRXI_FN double nrxi_t_sum_one(const nrxi_t_sum *m, ptrdiff_t base)
{
    size_t k, run = m->rn[m->nr - 1];
    double sum = 0, lost = 0;
    for (k = 0; k < m->outer; k++) {
        ptrdiff_t at = base + nrxi_t_sum_offset(k, m->nr - 1, m->rn, m->rs), st = m->rs[m->nr - 1];
        double v = m->dtype == NRX_F32 ? nrxi_t_sum_f32(run, (const float *)(const void *)m->x + at, st)
                                       : nrxi_t_sum_f64(run, (const double *)(const void *)m->x + at, st), t;
        t = sum + v;                                              /* Neumaier's variant of Kahan's sum */
        lost += fabs(sum) >= fabs(v) ? (sum - t) + v : (v - t) + sum;
        sum = t;
    }
    return nrxi_finite_f64(&lost) ? sum + lost : sum;
}

/* Up to 32 neighbouring outputs with unit stride at once: reduced positions outside, outputs inside. */
#define NRXI_T_SUM_TILE(T)                                                                      \
    for (k = 0; k < count; k++) {                                                             \
        const T *p = (const T *)(const void *)m->x + base + nrxi_t_sum_offset(k, m->nr, m->rn, m->rs); \
        for (i = 0; i < width; i++) {                                                         \
            double v = (double)p[i], t = acc[i] + v;                                          \
            if (sizeof(T) == 8) lost[i] += fabs(acc[i]) >= fabs(v) ? (acc[i] - t) + v : (v - t) + acc[i]; \
            acc[i] = t;                                                                       \
        }                                                                                     \
    }
NRXI_FN void nrxi_t_sum_tile(const nrxi_t_sum *m, ptrdiff_t base, size_t width, double *acc)
{
    double lost[32];
    size_t i, k, count = m->outer * m->rn[m->nr - 1];
    for (i = 0; i < width; i++) acc[i] = lost[i] = 0;
    if (m->dtype == NRX_F32) { NRXI_T_SUM_TILE(float) }
    else { NRXI_T_SUM_TILE(double) }
    for (i = 0; i < width; i++) if (nrxi_finite_f64(lost + i)) acc[i] += lost[i];
}

NRXI_FN void nrxi_t_sum_chunk(void *arg, size_t chunk)
{
    const nrxi_t_sum *m = (const nrxi_t_sum *)arg;
    size_t o, hi, width, i, row = m->kn[m->nk - 1];
    int tiled = m->ks[m->nk - 1] == 1 && m->rs[m->nr - 1] != 1 && row >= 4;
    double acc[32];
    if (m->partial) {
        size_t n =
            m->rn[0] - chunk * NRXI_T_CHUNK < NRXI_T_CHUNK ? m->rn[0] - chunk * NRXI_T_CHUNK : NRXI_T_CHUNK;
        ptrdiff_t at = (ptrdiff_t)(chunk * NRXI_T_CHUNK) * m->rs[0];
        m->partial[chunk] = m->dtype == NRX_F32
                                ? nrxi_t_sum_f32(n, (const float *)(const void *)m->x + at, m->rs[0])
                                : nrxi_t_sum_f64(n, (const double *)(const void *)m->x + at, m->rs[0]);
        return;
    }
    o = chunk * m->per_chunk;
    hi = m->outputs - o > m->per_chunk ? o + m->per_chunk : m->outputs;
    for (; o < hi; o += width) {
        ptrdiff_t base = nrxi_t_sum_offset(o, m->nk, m->kn, m->ks);
        width = 1;
        if (tiled) {
            width = row - o % row;
            if (width > 32) width = 32;
            if (width > hi - o) width = hi - o;
            nrxi_t_sum_tile(m, base, width, acc);
        } else acc[0] = nrxi_t_sum_one(m, base);
        for (i = 0; i < width; i++) {
            if (m->dtype == NRX_F32) ((float *)m->y)[o + i] = (float)acc[i];
            else ((double *)m->y)[o + i] = acc[i];
        }
    }
}

NRXI_GLUE_BEGIN
NRXI_FN void nrxi_t_b_sum(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    nrx_shape full = nrx_t_shape(NRXI_T_IN(y, 0)), kept = full;
    int i;
    for (i = 0; i < kept.ndim; i++) if ((size_t)y->node->k[0] >> i & 1u) kept.n[i] = 1;
    gx[0] = nrx_t_expand(nrx_t_reshape(g, kept), full);
}
static const nrxi_t_op nrxi_t_op_sum = { "nrx_t_sum", nrxi_t_b_sum, 0 };

NRXI_FN nrx_shape nrxi_t_reduced_shape(const nrx_tensor *x, unsigned axes, int keepdim)
{
    nrx_shape shape;
    int i;
    shape.ndim = 0;
    for (i = 0; i < x->ndim; i++) {
        if (!(axes >> i & 1u)) shape.n[shape.ndim++] = x->shape[i];
        else if (keepdim) shape.n[shape.ndim++] = 1;
    }
    return shape;
}

NRX_DEF nrx_tensor *nrx_t_sum(nrx_tensor *x, unsigned axes, int keepdim)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_sum", x, NRXI_T_FLOAT);
    nrx_tensor *y;
    nrxi_t_sum m;
    size_t chunks, work;
    int i;
    if (!s) return NULL;
    axes = nrxi_t_axes("nrx_t_sum", x, axes, x->ndim);
    if (axes & 0x100u) return NULL;
    y = nrxi_t_new(s, &nrxi_t_op_sum, x->dtype, nrxi_t_reduced_shape(x, axes, keepdim));
    if (!y) return NULL;
    m.dtype = x->dtype;
    m.x = (const unsigned char *)x->data;
    m.y = y->data;
    m.outputs = y->size;
    m.partial = NULL;
    m.nk = nrxi_t_sum_axes(x, ~axes, m.kn, m.ks);
    m.nr = nrxi_t_sum_axes(x, axes, m.rn, m.rs);
    m.outer = 1;
    for (i = 0; i < m.nr - 1; i++) m.outer *= m.rn[i];
    if (x->size == 0) memset(y->data, 0, y->size * nrxi_dtype_size(y->dtype));
    else if (y->size == 1 && m.nr == 1 && m.rn[0] > 4 * NRXI_T_CHUNK) {
        chunks = (m.rn[0] - 1) / NRXI_T_CHUNK + 1;
        m.partial = (double *)nrxi_t_work(s, chunks, sizeof *m.partial);
        if (!m.partial) { nrxi_t_disown(y); return nrxi_t_fail(s, NRX_E_NOMEM, "nrx_t_sum: out of memory"); }
        nrxi_parallel(&s->env, chunks, nrxi_t_sum_chunk, &m);
        nrxi_t_store_value(y, 0, nrxi_t_sum_f64(chunks, m.partial, 1));
        nrxi_t_work_drop(s, m.partial);
    } else {
        work = m.outer * m.rn[m.nr - 1];
        m.per_chunk = work >= NRXI_T_CHUNK ? 1 : NRXI_T_CHUNK / work;
        if (m.ks[m.nk - 1] == 1 && m.per_chunk < 32) m.per_chunk = 32;
        chunks = (y->size - 1) / m.per_chunk + 1;
        if (chunks == 1) nrxi_t_sum_chunk(&m, 0);
        else nrxi_parallel(&s->env, chunks, nrxi_t_sum_chunk, &m);
    }
    y->node->k[0] = (ptrdiff_t)axes;
    return nrxi_t_link1(y, x);
}

NRXI_FN size_t nrxi_t_axes_count(const nrx_tensor *x, unsigned axes)
{
    size_t n = 1;
    int i;
    for (i = 0; i < x->ndim; i++) if (axes >> i & 1u) n *= x->shape[i];
    return n;
}

NRX_DEF nrx_tensor *nrx_t_mean(nrx_tensor *x, unsigned axes, int keepdim)
{
    size_t n;
    if (!nrxi_t_enter1("nrx_t_mean", x, NRXI_T_FLOAT)) return NULL;
    axes = nrxi_t_axes("nrx_t_mean", x, axes, x->ndim);
    if (axes & 0x100u) return NULL;
    n = nrxi_t_axes_count(x, axes);
    nrx_t_begin(x->scope);
    return nrx_t_end(x->scope, nrx_t_scale(nrx_t_sum(x, axes, keepdim), n ? 1.0 / (double)n : nrxi_t_nan()));
}

NRX_DEF nrx_tensor *nrx_t_var(nrx_tensor *x, unsigned axes, int correction, int keepdim)
{
    nrx_tensor *d;
    double n;
    if (!nrxi_t_enter1("nrx_t_var", x, NRXI_T_FLOAT)) return NULL;
    axes = nrxi_t_axes("nrx_t_var", x, axes, x->ndim);
    if (axes & 0x100u) return NULL;
    n = (double)nrxi_t_axes_count(x, axes) - correction;
    nrx_t_begin(x->scope);
    d = nrx_t_square(nrx_t_sub(x, nrx_t_mean(x, axes, 1)));
    return nrx_t_end(x->scope, nrx_t_scale(nrx_t_sum(d, axes, keepdim), n > 0 ? 1.0 / n : nrxi_t_nan()));
}

/* Reduced axes moved last and merged into one: [kept..., n]. */
NRXI_FN nrx_tensor *nrxi_t_rows(nrx_tensor *x, unsigned axes)
{
    int order[NRX_MAX_DIMS], i, k = 0, kept;
    nrx_shape shape;
    for (i = 0; i < x->ndim; i++) if (!(axes >> i & 1u)) order[k++] = i;
    kept = k;
    for (i = 0; i < x->ndim; i++) if (axes >> i & 1u) order[k++] = i;
    shape.ndim = kept + 1;
    if (shape.ndim > NRX_MAX_DIMS) return nrxi_t_fail(x->scope, NRX_E_ARG, "nrx_t: no axis to reduce");
    for (i = 0; i < kept; i++) shape.n[i] = x->shape[order[i]];
    shape.n[kept] = nrxi_t_axes_count(x, axes);
    return nrx_t_reshape(nrx_t_permute(x, order), shape);
}

/* Halves are multiplied until one is left: no division, so that zeros are no special case for any derivative.
 */
NRX_DEF nrx_tensor *nrx_t_prod(nrx_tensor *x, unsigned axes, int keepdim)
{
    nrx_tensor *r;
    nrx_shape shape;
    if (!nrxi_t_enter1("nrx_t_prod", x, NRXI_T_FLOAT)) return NULL;
    axes = nrxi_t_axes("nrx_t_prod", x, axes, x->ndim);
    if (axes & 0x100u) return NULL;
    shape = nrxi_t_reduced_shape(x, axes, keepdim);
    nrx_t_begin(x->scope);
    r = nrxi_t_rows(x, axes);
    if (r && r->shape[r->ndim - 1] == 0) r = nrx_t_ones(x->scope, x->dtype, shape);
    while (r && r->ndim && r->shape[r->ndim - 1] > 1) {
        size_t n = r->shape[r->ndim - 1], half = n / 2;
        nrx_tensor *p = nrx_t_mul(nrx_t_slice(r, -1, 0, (ptrdiff_t)half, 1),
                                  nrx_t_slice(r, -1, (ptrdiff_t)half, (ptrdiff_t)(2 * half), 1)),
                   *both[2];
        both[0] = p;
        both[1] = nrx_t_slice(r, -1, (ptrdiff_t)(2 * half), (ptrdiff_t)n, 1);
        r = n % 2 ? nrx_t_concat(both, 2, -1) : p;
    }
    return nrx_t_end(x->scope, nrx_t_reshape(r, shape));
}

NRX_DEF nrx_tensor *nrx_t_norm(nrx_tensor *x, unsigned axes, int keepdim)
{
    nrx_tensor *q, *zero, *one, *mask;
    if (!nrxi_t_enter1("nrx_t_norm", x, NRXI_T_FLOAT)) return NULL;
    nrx_t_begin(x->scope);
    q = nrx_t_sum(nrx_t_square(x), axes, keepdim);
    zero = nrx_t_scalar(x->scope, x->dtype, 0);
    one = nrx_t_scalar(x->scope, x->dtype, 1);
    mask = nrx_t_gt(q, zero); /* sqrt is kept away from 0, where its slope is infinite */
    return nrx_t_end(x->scope, nrx_t_mul(mask, nrx_t_sqrt(nrx_t_where(mask, q, one))));
}

NRXI_GLUE_END

/* -- largest, smallest, order -- */

/* a before b in ascending order with NaN last; ties by position elsewhere. */
NRXI_FN int nrxi_t_before(double a, double b) { return a < b || (b != b && a == a); }

NRXI_FN nrx_tensor *nrxi_t_arg(const char *name, nrx_tensor *x, int axis, int largest)
{
    static const nrxi_t_op op = { "nrx_t_argmax", NULL, 0 };
    nrx_scope *s = nrxi_t_enter1(name, x, 0);
    nrx_tensor *y, *r;
    nrxi_t_label_info a;
    size_t i, k, n;
    if (!s) return NULL;
    axis = nrxi_t_axis(name, x, axis, x->ndim);
    if (axis < 0) return NULL;
    n = x->shape[axis];
    if (n == 0)
        return nrxi_t_fail(s, NRX_E_SHAPE, "%s: axis %d of %s is empty", name, axis, nrxi_t_label(&a, x));
    y = nrxi_t_new(s, &op, NRX_I64, nrxi_t_reduced_shape(x, 1u << axis, 0));
    nrx_t_begin(s);
    r = nrx_t_detach(x);
    r = r ? nrxi_t_plain(nrxi_t_rows(r, 1u << axis), &op) : NULL;
    if (y && r)
        for (i = 0; i < y->size; i++) {
            int64_t best = 0;
            double v = nrxi_t_load_value(r, (ptrdiff_t)(i * n));
            for (k = 1; k < n; k++) {
                double w = nrxi_t_load_value(r, (ptrdiff_t)(i * n + k));
                if (largest ? nrxi_t_before(v, w) : v == v && (w < v || w != w)) { v = w; best = (int64_t)k; }
            }
            ((int64_t *)y->data)[i] = best;
        }
    nrx_t_end(s, NULL);
    if (y && !r) { nrxi_t_disown(y); y = NULL; }
    return y;
}
NRX_DEF nrx_tensor *nrx_t_argmax(nrx_tensor *x, int axis) { return nrxi_t_arg("nrx_t_argmax", x, axis, 1); }
NRX_DEF nrx_tensor *nrx_t_argmin(nrx_tensor *x, int axis) { return nrxi_t_arg("nrx_t_argmin", x, axis, 0); }

NRXI_GLUE_BEGIN
NRXI_FN nrx_tensor *nrxi_t_extreme(const char *name, nrx_tensor *x, unsigned axes, int keepdim, int largest)
{
    nrx_scope *s = nrxi_t_enter1(name, x, NRXI_T_FLOAT);
    nrx_tensor *r, *index;
    nrx_shape shape;
    nrxi_t_label_info a;
    if (!s) return NULL;
    axes = nrxi_t_axes(name, x, axes, x->ndim);
    if (axes & 0x100u) return NULL;
    if (nrxi_t_axes_count(x, axes) == 0)
        return nrxi_t_fail(s, NRX_E_SHAPE, "%s: of no elements in %s", name, nrxi_t_label(&a, x));
    shape = nrxi_t_reduced_shape(x, axes, keepdim);
    nrx_t_begin(s);
    if (!axes) return nrx_t_end(s, nrx_t_affine(x, 1, 0));
    r = nrxi_t_rows(x, axes);
    index = nrxi_t_arg(name, r, -1, largest);
    return nrx_t_end(s, nrx_t_reshape(nrx_t_gather(r, -1, nrx_t_unsqueeze(index, -1)), shape));
}
NRX_DEF nrx_tensor *nrx_t_max(nrx_tensor *x, unsigned axes, int keepdim)
{
    return nrxi_t_extreme("nrx_t_max", x, axes, keepdim, 1);
}
NRX_DEF nrx_tensor *nrx_t_min(nrx_tensor *x, unsigned axes, int keepdim)
{
    return nrxi_t_extreme("nrx_t_min", x, axes, keepdim, 0);
}

NRXI_GLUE_END
/* Stable merge sort of positions 0 .. n-1 by key; work: n positions. */
NRXI_FN void nrxi_t_argsort(size_t n, const double *key, int descending, int64_t *index, int64_t *work)
{
    size_t width, i, lo, mid, hi, a, b, k;
    for (i = 0; i < n; i++) index[i] = (int64_t)i;
    for (width = 1; width < n; width *= 2) {
        for (lo = 0; lo < n; lo = hi) {
            mid = n - lo > width ? lo + width : n;
            hi = n - mid > width ? mid + width : n;
            for (a = lo, b = mid, k = lo; k < hi; k++) {
                int second = a == mid;
                if (!second && b < hi) {
                    double u = key[index[a]], v = key[index[b]];
                    second = descending ? nrxi_t_before(u, v) : nrxi_t_before(v, u);
                }
                work[k] = second ? index[b++] : index[a++];
            }
        }
        memcpy(index, work, n * sizeof *index);
    }
}

NRX_DEF nrx_tensor *nrx_t_argsort(nrx_tensor *x, int axis, int descending)
{
    static const nrxi_t_op op = { "nrx_t_argsort", NULL, 0 };
    nrx_scope *s = nrxi_t_enter1("nrx_t_argsort", x, 0);
    nrx_tensor *r, *y, *key, *work;
    size_t i, n;
    if (!s) return NULL;
    axis = nrxi_t_axis("nrx_t_argsort", x, axis, x->ndim);
    if (axis < 0) return NULL;
    n = x->shape[axis];
    nrx_t_begin(s);
    r = nrx_t_transpose(nrx_t_detach(x), axis, -1);
    key = nrx_t_contiguous(nrx_t_cast(r, NRX_F64));
    y = r ? nrxi_t_new(s, &op, NRX_I64, nrx_t_shape(r)) : NULL;
    work = nrx_t_empty(s, NRX_I64, nrx_s1(n));
    if (!key || !y || !work) return nrx_t_end(s, NULL);
    for (i = 0; n && i < x->size / n; i++)
        nrxi_t_argsort(n, (const double *)key->data + i * n, descending, (int64_t *)y->data + i * n,
                     (int64_t *)work->data);
    return nrx_t_end(s, nrx_t_transpose(y, axis, -1));
}
NRXI_GLUE_BEGIN
NRX_DEF nrx_tensor *nrx_t_sort(nrx_tensor *x, int axis, int descending)
{
    nrx_tensor *y;
    if (!nrxi_t_enter1("nrx_t_sort", x, 0)) return NULL;
    nrx_t_begin(x->scope);
    y = nrx_t_gather(x, axis, nrx_t_argsort(x, axis, descending));
    return nrx_t_end(x->scope, y);
}
NRX_DEF nrx_tensor *nrx_t_topk(nrx_tensor *x, int axis, size_t k, nrx_tensor **index)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_topk", x, 0);
    nrx_tensor *y, *at;
    nrxi_t_label_info a;
    if (index) *index = NULL;
    if (!s) return NULL;
    axis = nrxi_t_axis("nrx_t_topk", x, axis, x->ndim);
    if (axis < 0) return NULL;
    if (k > x->shape[axis])
        return nrxi_t_fail(s, NRX_E_SHAPE, "nrx_t_topk: %zu of axis %d of %s", k, axis, nrxi_t_label(&a, x));
    nrx_t_begin(s);
    at = nrx_t_copy(nrx_t_slice(nrx_t_argsort(x, axis, 1), axis, 0, (ptrdiff_t)k, 1));
    y = nrx_t_gather(x, axis, at);
    if (index && y) *index = nrx_t_keep(at);
    return nrx_t_end(s, y);
}

/* -- cumulative sum, softmax and what is built on it -- */

NRXI_FN void nrxi_t_b_cumsum(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    int axis = (int)y->node->k[0];
    gx[0] = nrx_t_flip(nrx_t_cumsum(nrx_t_flip(g, 1u << axis), axis), 1u << axis);
}
static const nrxi_t_op nrxi_t_op_cumsum = { "nrx_t_cumsum", nrxi_t_b_cumsum, 0 };
NRXI_GLUE_END
NRX_DEF nrx_tensor *nrx_t_cumsum(nrx_tensor *x, int axis)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_cumsum", x, NRXI_T_FLOAT);
    nrx_tensor *y;
    size_t i, j, k, n, inner = 1;
    int d;
    if (!s) return NULL;
    axis = nrxi_t_axis("nrx_t_cumsum", x, axis, x->ndim);
    if (axis < 0) return NULL;
    y = nrxi_t_new(s, &nrxi_t_op_cumsum, x->dtype, nrx_t_shape(x));
    if (!y) return NULL;
    nrxi_t_copy_into(y, x);
    n = x->shape[axis];
    for (d = axis + 1; d < x->ndim; d++) inner *= x->shape[d];
    for (i = 0; y->size && i < x->size / (n * inner); i++)
        for (j = 0; j < inner; j++) {
            double sum = 0;
            for (k = 0; k < n; k++) {
                ptrdiff_t at = (ptrdiff_t)((i * n + k) * inner + j);
                sum += nrxi_t_load_value(y, at);
                nrxi_t_store_value(y, at, sum);
            }
        }
    y->node->k[0] = axis;
    return nrxi_t_link1(y, x);
}

/* Rows of n: exp(x - max) / sum. */
#define NRXI_T_SOFTMAX(T, S)                                                                    \
    for (i = 0; i < rows; i++) {                                                              \
        const T *a = (const T *)x->data + i * n;                                              \
        T *b = (T *)y->data + i * n, big = a[0];                                              \
        double sum;                                                                           \
        for (k = 1; k < n; k++) if (a[k] > big || a[k] != a[k]) big = a[k];                   \
        for (k = 0; k < n; k++) b[k] = a[k] - big;                                            \
        nrxi_vexp_##S(n, b, b);                                                               \
        sum = nrxi_t_sum_##S(n, b, 1);                                                          \
        for (k = 0; k < n; k++) b[k] = (T)((double)b[k] / sum);                               \
    }
NRXI_GLUE_BEGIN
NRXI_FN void nrxi_t_b_softmax(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx) /* y (g - sum(y g)) */
{
    nrx_tensor *q = nrx_t_mul(y, g);
    gx[0] = nrx_t_sub(q, nrx_t_mul(y, nrx_t_sum(q, NRX_AXIS(-1), 1)));
}
static const nrxi_t_op nrxi_t_op_softmax = { "nrx_t_softmax", nrxi_t_b_softmax, NRXI_T_SAVE_OUT };
NRXI_FN nrx_tensor *nrxi_t_softmax_rows(nrx_tensor *in)
{
    nrx_tensor *x, *y;
    size_t i, k, n, rows;
    if (!in) return NULL;
    y = nrxi_t_new(in->scope, &nrxi_t_op_softmax, in->dtype, nrx_t_shape(in));
    x = nrxi_t_plain(in, &nrxi_t_op_softmax);
    if (!x || !y) return NULL;
    n = in->shape[in->ndim - 1];
    rows = n ? in->size / n : 0;
    if (in->dtype == NRX_F32) { NRXI_T_SOFTMAX(float, f32) }
    else { NRXI_T_SOFTMAX(double, f64) }
    return nrxi_t_link1(y, in);
}
NRX_DEF nrx_tensor *nrx_t_softmax(nrx_tensor *x, int axis)
{
    nrx_tensor *y;
    if (!nrxi_t_enter1("nrx_t_softmax", x, NRXI_T_FLOAT)) return NULL;
    axis = nrxi_t_axis("nrx_t_softmax", x, axis, x->ndim);
    if (axis < 0) return NULL;
    nrx_t_begin(x->scope);
    if (axis == x->ndim - 1) y = nrxi_t_softmax_rows(x);
    else y = nrx_t_transpose(nrxi_t_softmax_rows(nrx_t_transpose(x, axis, -1)), axis, -1);
    return nrx_t_end(x->scope, y);
}

NRX_DEF nrx_tensor *nrx_t_logsumexp(nrx_tensor *x, unsigned axes, int keepdim)
{
    nrx_tensor *m, *y;
    nrx_shape shape;
    if (!nrxi_t_enter1("nrx_t_logsumexp", x, NRXI_T_FLOAT)) return NULL;
    axes = nrxi_t_axes("nrx_t_logsumexp", x, axes, x->ndim);
    if (axes & 0x100u) return NULL;
    shape = nrxi_t_reduced_shape(x, axes, keepdim);
    nrx_t_begin(x->scope);
    m = nrx_t_clamp(nrx_t_max(nrx_t_detach(x), axes, 1), -1e30,
                    1e30); /* an infinite maximum must not give inf - inf */
    y = nrx_t_add(nrx_t_log(nrx_t_sum(nrx_t_exp(nrx_t_sub(x, m)), axes, 1)), m);
    return nrx_t_end(x->scope, nrx_t_reshape(y, shape));
}
NRX_DEF nrx_tensor *nrx_t_log_softmax(nrx_tensor *x, int axis)
{
    nrx_tensor *y;
    if (!nrxi_t_enter1("nrx_t_log_softmax", x, NRXI_T_FLOAT)) return NULL;
    axis = nrxi_t_axis("nrx_t_log_softmax", x, axis, x->ndim);
    if (axis < 0) return NULL;
    nrx_t_begin(x->scope);
    y = nrx_t_sub(x, nrx_t_logsumexp(x, 1u << axis, 1));
    return nrx_t_end(x->scope, y);
}
NRX_DEF nrx_tensor *nrx_t_cross_entropy(nrx_tensor *logits, nrx_tensor *target)
{
    nrx_scope *s = nrxi_t_enter2("nrx_t_cross_entropy", logits, target, 0);
    nrx_tensor *y;
    nrxi_t_label_info a, b;
    if (!s) return NULL;
    if (logits->ndim != 2 || target->ndim != 1 || target->dtype != NRX_I64 ||
        target->shape[0] != logits->shape[0])
        return nrxi_t_fail(s, NRX_E_SHAPE,
                           "nrx_t_cross_entropy: logits %s, target %s, expected [n, classes] and i64 [n]",
                           nrxi_t_label(&a, logits), nrxi_t_label(&b, target));
    nrx_t_begin(s);
    y = nrx_t_gather(nrx_t_log_softmax(logits, 1), 1, nrx_t_unsqueeze(target, 1));
    return nrx_t_end(s, nrx_t_neg(nrx_t_mean(y, NRX_ALL_AXES, 0)));
}
NRX_DEF nrx_tensor *nrx_t_mse(nrx_tensor *a, nrx_tensor *b)
{
    nrx_tensor *y;
    if (!nrxi_t_enter2("nrx_t_mse", a, b, NRXI_T_FLOAT | NRXI_T_SAME)) return NULL;
    nrx_t_begin(a->scope);
    y = nrx_t_mean(nrx_t_square(nrx_t_sub(a, b)), NRX_ALL_AXES, 0);
    return nrx_t_end(a->scope, y);
}

/* (x - mean) / sqrt(var + eps) over `axes` */
NRXI_FN nrx_tensor *nrxi_t_normalize(nrx_tensor *x, unsigned axes, double eps)
{
    nrx_tensor *d = nrx_t_sub(x, nrx_t_mean(x, axes, 1));
    return nrx_t_mul(d, nrx_t_rsqrt(nrx_t_shift(nrx_t_mean(nrx_t_square(d), axes, 1), eps)));
}
NRX_DEF nrx_tensor *nrx_t_layer_norm(nrx_tensor *x, int first_axis, nrx_tensor *weight, nrx_tensor *bias,
                                     double eps)
{
    nrx_tensor *y;
    unsigned axes = 0;
    int i;
    if (!nrxi_t_enter1("nrx_t_layer_norm", x, NRXI_T_FLOAT)) return NULL;
    first_axis = nrxi_t_axis("nrx_t_layer_norm", x, first_axis, x->ndim);
    if (first_axis < 0) return NULL;
    for (i = first_axis; i < x->ndim; i++) axes |= 1u << i;
    nrx_t_begin(x->scope);
    y = nrxi_t_normalize(x, axes, eps);
    if (weight) y = nrx_t_mul(y, weight);
    if (bias) y = nrx_t_add(y, bias);
    return nrx_t_end(x->scope, y);
}
NRX_DEF nrx_tensor *nrx_t_group_norm(nrx_tensor *x, size_t groups, nrx_tensor *weight, nrx_tensor *bias,
                                     double eps)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_group_norm", x, NRXI_T_FLOAT);
    nrx_tensor *y;
    nrx_shape c;
    nrxi_t_label_info a;
    int i;
    if (!s) return NULL;
    if (x->ndim < 2 || groups == 0 || x->shape[1] % groups)
        return nrxi_t_fail(s, NRX_E_SHAPE, "nrx_t_group_norm: %zu groups of the channels of %s", groups,
                           nrxi_t_label(&a, x));
    c = nrx_t_shape(x);
    for (i = 0; i < c.ndim; i++) if (i != 1) c.n[i] = 1;
    nrx_t_begin(s);
    y = nrx_t_reshape(x, nrx_s3(x->shape[0], groups, x->shape[0] ? x->size / (x->shape[0] * groups) : 0));
    y = nrx_t_reshape(nrxi_t_normalize(y, 4u, eps), nrx_t_shape(x));
    if (weight) y = nrx_t_mul(y, nrx_t_reshape(weight, c));
    if (bias) y = nrx_t_add(y, nrx_t_reshape(bias, c));
    return nrx_t_end(s, y);
}

/* -- joining and indexing -- */

NRXI_FN void nrxi_t_b_concat(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    int axis = (int)y->node->k[0];
    ptrdiff_t at = 0;
    size_t i;
    for (i = 0; i < y->node->n_in; i++) {
        ptrdiff_t n = (ptrdiff_t)NRXI_T_IN(y, i)->shape[axis];
        if (NRXI_T_WANTS(y, i)) gx[i] = nrx_t_slice(g, axis, at, at + n, 1);
        at += n;
    }
}
static const nrxi_t_op nrxi_t_op_concat = { "nrx_t_concat", nrxi_t_b_concat, 0 };
NRX_DEF nrx_tensor *nrx_t_concat(nrx_tensor *const *x, size_t n, int axis)
{
    nrx_scope *s = x && n ? nrxi_t_enter("nrx_t_concat", x, n, NRXI_T_SAME) : NULL;
    nrx_shape shape;
    nrx_tensor *y, at;
    nrxi_t_label_info a, b;
    size_t i;
    int d;
    if (!s) return NULL;
    axis = nrxi_t_axis("nrx_t_concat", x[0], axis, x[0]->ndim);
    if (axis < 0) return NULL;
    shape = nrx_t_shape(x[0]);
    for (i = 1; i < n; i++) {
        int bad = x[i]->ndim != shape.ndim;
        for (d = 0; d < shape.ndim && !bad; d++) if (d != axis && x[i]->shape[d] != shape.n[d]) bad = 1;
        if (bad)
            return nrxi_t_fail(s, NRX_E_SHAPE, "nrx_t_concat: %s and %s along axis %d",
                               nrxi_t_label(&a, x[0]), nrxi_t_label(&b, x[i]), axis);
        if (!nrxi_add_ok(shape.n[axis], x[i]->shape[axis], &shape.n[axis]))
            return nrxi_t_fail(s, NRX_E_RANGE, "nrx_t_concat: sizes overflow");
    }
    y = nrxi_t_new(s, &nrxi_t_op_concat, x[0]->dtype, shape);
    if (!y) return NULL;
    at = *y;
    for (i = 0; i < n; i++) {
        at.shape[axis] = x[i]->shape[axis];
        nrxi_t_copy_into(&at, x[i]);
        at.data = (unsigned char *)at.data +
                  x[i]->shape[axis] * (size_t)y->stride[axis] * nrxi_dtype_size(y->dtype);
    }
    y->node->k[0] = axis;
    return nrxi_t_link(y, x, n);
}
NRX_DEF nrx_tensor *nrx_t_stack(nrx_tensor *const *x, size_t n, int axis)
{
    nrx_scope *s = x && n ? nrxi_t_enter("nrx_t_stack", x, n, NRXI_T_SAME) : NULL;
    nrx_tensor **wide, *y = NULL;
    size_t i;
    if (!s) return NULL;
    wide = (nrx_tensor **)nrxi_t_work(s, n, sizeof *wide);
    if (!wide) return nrxi_t_fail(s, NRX_E_NOMEM, "nrx_t_stack: out of memory");
    axis = nrxi_t_axis("nrx_t_stack", x[0], axis, x[0]->ndim + 1);
    nrx_t_begin(s);
    if (axis >= 0) {
        for (i = 0; i < n; i++) wide[i] = nrx_t_unsqueeze(x[i], axis);
        y = nrx_t_concat(wide, n, axis);
    }
    nrxi_t_work_drop(s, wide);
    return nrx_t_end(s, y);
}
NRX_DEF nrx_status nrx_t_split(nrx_tensor *x, int axis, size_t parts, nrx_tensor **out)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_split", x, 0);
    nrxi_t_label_info a;
    size_t i, n;
    if (!s) return x ? x->scope->status : NRX_E_ARG;
    for (i = 0; out && i < parts; i++) out[i] = NULL;
    axis = nrxi_t_axis("nrx_t_split", x, axis, x->ndim);
    if (axis < 0) return NRX_E_ARG;
    if (!out || parts == 0 || x->shape[axis] % parts) {
        nrxi_t_fail(s, NRX_E_SHAPE, "nrx_t_split: axis %d of %s into %zu parts", axis, nrxi_t_label(&a, x),
                    parts);
        return NRX_E_SHAPE;
    }
    n = x->shape[axis] / parts;
    for (i = 0; i < parts; i++) {
        out[i] = nrx_t_slice(x, axis, (ptrdiff_t)(i * n), (ptrdiff_t)((i + 1) * n), 1);
        if (!out[i]) return s->status;
    }
    return NRX_OK;
}

/* Both gather and scatter walk index [outer.. k ..inner]; base[i] is the position in the other array with
 * index 0 on the axis. */
NRXI_FN int nrxi_t_check_index(const char *name, const nrx_tensor *index, size_t n)
{
    const int64_t *p = (const int64_t *)index->data;
    nrxi_t_label_info a;
    size_t i;
    for (i = 0; i < index->size; i++)
        if (p[i] >= (int64_t)n || p[i] < -(int64_t)n) {
            nrxi_t_fail(index->scope, NRX_E_RANGE, "%s: index %ld in %s, the axis has %zu", name, (long)p[i],
                        nrxi_t_label(&a, index), n);
            return 0;
        }
    return 1;
}

NRXI_FN void nrxi_t_b_gather(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    nrx_tensor *x = NRXI_T_IN(y, 0);
    if (NRXI_T_WANTS(y, 0))
        gx[0] = nrx_t_scatter_add(nrx_t_zeros(y->scope, y->dtype, nrx_t_shape(x)), (int)y->node->k[0],
                                  NRXI_T_IN(y, 1), g);
}
NRXI_FN void nrxi_t_b_scatter_add(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    if (NRXI_T_WANTS(y, 0)) gx[0] = g;
    if (NRXI_T_WANTS(y, 2)) gx[2] = nrx_t_gather(g, (int)y->node->k[0], NRXI_T_IN(y, 1));
}
static const nrxi_t_op nrxi_t_op_gather = { "nrx_t_gather", nrxi_t_b_gather, 2 };
static const nrxi_t_op nrxi_t_op_scatter_add = { "nrx_t_scatter_add", nrxi_t_b_scatter_add, 2 };

/* x and index agree but along axis. */
NRXI_FN int nrxi_t_index_fits(const char *name, const nrx_tensor *x, const nrx_tensor *index, int axis)
{
    nrxi_t_label_info a, b;
    int d, ok = index->dtype == NRX_I64 && index->ndim == x->ndim;
    for (d = 0; d < x->ndim && ok; d++) if (d != axis && index->shape[d] != x->shape[d]) ok = 0;
    if (!ok)
        nrxi_t_fail(x->scope, NRX_E_SHAPE, "%s: %s with index %s along axis %d", name, nrxi_t_label(&a, x),
                    nrxi_t_label(&b, index), axis);
    return ok;
}

/* For each element of index (contiguous, row-major): y[e] = x[.. index ..] or x[.. index ..] += y[e]. All
 * arrays contiguous. */
NRXI_FN void nrxi_t_walk_index(nrx_tensor *x, int axis, const nrx_tensor *index, nrx_tensor *y, int add)
{
    const int64_t *p = (const int64_t *)index->data;
    size_t inner = 1, n = x->shape[axis], k = index->shape[axis], e, o, j, i;
    int d;
    for (d = axis + 1; d < x->ndim; d++) inner *= x->shape[d];
    if (index->size == 0) return;
    for (e = 0, o = 0; o < index->size / (k * inner); o++)
        for (j = 0; j < k; j++)
            for (i = 0; i < inner; i++, e++) {
                size_t at = (o * n + (size_t)(p[e] < 0 ? p[e] + (int64_t)n : p[e])) * inner + i;
                if (x->dtype == NRX_F32) {
                    if (add) ((float *)x->data)[at] += ((const float *)y->data)[e];
                    else ((float *)y->data)[e] = ((const float *)x->data)[at];
                } else if (x->dtype == NRX_F64) {
                    if (add) ((double *)x->data)[at] += ((const double *)y->data)[e];
                    else ((double *)y->data)[e] = ((const double *)x->data)[at];
                } else {
                    if (add) ((int64_t *)x->data)[at] += ((const int64_t *)y->data)[e];
                    else ((int64_t *)y->data)[e] = ((const int64_t *)x->data)[at];
                }
            }
}

NRX_DEF nrx_tensor *nrx_t_gather(nrx_tensor *x, int axis, nrx_tensor *index)
{
    nrx_scope *s = nrxi_t_enter2("nrx_t_gather", x, index, 0);
    nrx_tensor *y, *px, *pi;
    if (!s) return NULL;
    axis = nrxi_t_axis("nrx_t_gather", x, axis, x->ndim);
    if (axis < 0 || !nrxi_t_index_fits("nrx_t_gather", x, index, axis)) return NULL;
    y = nrxi_t_new(s, &nrxi_t_op_gather, x->dtype, nrx_t_shape(index));
    if (!y) return NULL;
    nrx_t_begin(s);
    px = nrxi_t_plain(x, &nrxi_t_op_gather);
    pi = nrxi_t_plain(index, &nrxi_t_op_gather);
    if (!px || !pi || !nrxi_t_check_index("nrx_t_gather", pi, x->shape[axis])) {
        nrx_t_end(s, NULL);
        nrxi_t_disown(y);
        return NULL;
    }
    nrxi_t_walk_index(px, axis, pi, y, 0);
    nrx_t_end(s, NULL);
    y->node->k[0] = axis;
    return nrxi_t_link2(y, x, index);
}
NRX_DEF nrx_tensor *nrx_t_scatter_add(nrx_tensor *x, int axis, nrx_tensor *index, nrx_tensor *src)
{
    nrx_tensor *in[3], *y, *ps, *pi;
    nrxi_t_label_info a, b;
    nrx_scope *s;
    in[0] = x; in[1] = index; in[2] = src;
    s = nrxi_t_enter("nrx_t_scatter_add", in, 3, 0);
    if (!s || !nrxi_t_enter2("nrx_t_scatter_add", x, src, NRXI_T_SAME)) return NULL;
    axis = nrxi_t_axis("nrx_t_scatter_add", x, axis, x->ndim);
    if (axis < 0 || !nrxi_t_index_fits("nrx_t_scatter_add", x, index, axis)) return NULL;
    if (!nrxi_t_same_shape(index, src))
        return nrxi_t_fail(s, NRX_E_SHAPE, "nrx_t_scatter_add: index %s and src %s", nrxi_t_label(&a, index),
                           nrxi_t_label(&b, src));
    y = nrxi_t_new(s, &nrxi_t_op_scatter_add, x->dtype, nrx_t_shape(x));
    if (!y) return NULL;
    nrxi_t_copy_into(y, x);
    nrx_t_begin(s);
    ps = nrxi_t_plain(src, &nrxi_t_op_scatter_add);
    pi = nrxi_t_plain(index, &nrxi_t_op_scatter_add);
    if (!ps || !pi || !nrxi_t_check_index("nrx_t_scatter_add", pi, x->shape[axis])) {
        nrx_t_end(s, NULL);
        nrxi_t_disown(y);
        return NULL;
    }
    nrxi_t_walk_index(y, axis, pi, ps, 1);
    nrx_t_end(s, NULL);
    y->node->k[0] = axis;
    return nrxi_t_link(y, in, 3);
}
NRX_DEF nrx_tensor *nrx_t_index_select(nrx_tensor *x, int axis, nrx_tensor *index)
{
    nrx_scope *s = nrxi_t_enter2("nrx_t_index_select", x, index, 0);
    nrx_shape shape, flat;
    nrxi_t_label_info a;
    nrx_tensor *y;
    if (!s) return NULL;
    axis = nrxi_t_axis("nrx_t_index_select", x, axis, x->ndim);
    if (axis < 0) return NULL;
    if (index->ndim != 1 || index->dtype != NRX_I64)
        return nrxi_t_fail(s, NRX_E_SHAPE, "nrx_t_index_select: index %s, expected i64 [k]",
                           nrxi_t_label(&a, index));
    shape = flat = nrx_t_shape(x);
    for (flat.ndim = 0; flat.ndim < shape.ndim; flat.ndim++) flat.n[flat.ndim] = 1;
    shape.n[axis] = flat.n[axis] = index->shape[0];
    nrx_t_begin(s);
    y = nrx_t_gather(x, axis, nrx_t_expand(nrx_t_reshape(index, flat), shape));
    return nrx_t_end(s, y);
}
NRX_DEF nrx_tensor *nrx_t_one_hot(nrx_tensor *index, size_t classes, int dtype)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_one_hot", index, 0);
    nrx_tensor *y, *p;
    nrx_shape shape;
    nrxi_t_label_info a;
    size_t i;
    if (!s) return NULL;
    if (index->dtype != NRX_I64 || index->ndim == NRX_MAX_DIMS)
        return nrxi_t_fail(s, NRX_E_ARG, "nrx_t_one_hot: index %s, expected i64 of at most 7 axes",
                           nrxi_t_label(&a, index));
    shape = nrx_t_shape(index);
    shape.n[shape.ndim++] = classes;
    nrx_t_begin(s);
    y = nrx_t_zeros(s, dtype, shape);
    p = nrxi_t_plain(index, &nrxi_t_op_gather);
    if (!y || !p || !nrxi_t_check_index("nrx_t_one_hot", p, classes)) return nrx_t_end(s, NULL);
    for (i = 0; i < p->size; i++) {
        int64_t k = ((const int64_t *)p->data)[i];
        nrxi_t_store_value(y, (ptrdiff_t)(i * classes + (size_t)(k < 0 ? k + (int64_t)classes : k)), 1);
    }
    return nrx_t_end(s, y);
}

NRX_DEF nrx_tensor *nrx_t_pad(nrx_tensor *x, int axis, size_t before, size_t after, int mode, double value)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_pad", x, 0);
    nrx_tensor *index, *y;
    nrxi_t_label_info a;
    size_t n, total, i;
    if (!s) return NULL;
    axis = nrxi_t_axis("nrx_t_pad", x, axis, x->ndim);
    if (axis < 0) return NULL;
    n = x->shape[axis];
    if (!nrxi_add_ok(n, before, &total) || !nrxi_add_ok(total, after, &total))
        return nrxi_t_fail(s, NRX_E_RANGE, "nrx_t_pad: sizes overflow");
    if (mode == NRX_PAD_ZERO) {
        nrxi_t_view_info v = nrxi_t_view_same(x);
        v.from.n[axis] = total;
        v.start[axis] = before;
        nrx_t_begin(s);
        if (value != 0)
            return nrx_t_end(s, nrx_t_shift(nrxi_t_view_adjoint(nrx_t_shift(x, -value), &v), value));
        return nrx_t_end(s, nrxi_t_view_adjoint(x, &v));
    }
    if (mode < 0 || mode > NRX_PAD_CIRCULAR) return nrxi_t_fail(s, NRX_E_ARG, "nrx_t_pad: mode %d", mode);
    if (n == 0 || (mode == NRX_PAD_REFLECT && (before >= n || after >= n)) ||
        (mode == NRX_PAD_CIRCULAR && (before > n || after > n)))
        return nrxi_t_fail(s, NRX_E_SHAPE, "nrx_t_pad: %zu and %zu on axis %d of %s", before, after, axis,
                           nrxi_t_label(&a, x));
    nrx_t_begin(s);
    index = nrx_t_empty(s, NRX_I64, nrx_s1(total));
    if (index)
        for (i = 0; i < total; i++) {
            ptrdiff_t k = (ptrdiff_t)i - (ptrdiff_t)before, m = (ptrdiff_t)n;
            if (mode == NRX_PAD_REFLECT) k = k < 0 ? -k : k >= m ? 2 * (m - 1) - k : k;
            else if (mode == NRX_PAD_REPLICATE) k = k < 0 ? 0 : k >= m ? m - 1 : k;
            else k = k < 0 ? k + m : k >= m ? k - m : k;
            ((int64_t *)index->data)[i] = k;
        }
    y = nrx_t_index_select(x, axis, index);
    return nrx_t_end(s, y);
}

/* -- matrix products -- */

/* How gemm can read the last two axes of x in place: 0 as it is, 1 transposed, -1 not at all. */
NRXI_FN int nrxi_t_mat_layout(const nrx_tensor *x, size_t *ld)
{
    size_t m = x->shape[x->ndim - 2], n = x->shape[x->ndim - 1];
    ptrdiff_t rs = m == 1 ? (ptrdiff_t)n : x->stride[x->ndim - 2], cs = n == 1 ? 1 : x->stride[x->ndim - 1];
    if (cs == 1 && rs >= (ptrdiff_t)(n ? n : 1)) { *ld = (size_t)rs; return 0; }
    rs = m == 1 ? 1 : x->stride[x->ndim - 2];
    cs = n == 1 ? (ptrdiff_t)m : x->stride[x->ndim - 1];
    if (rs == 1 && cs >= (ptrdiff_t)(m ? m : 1)) { *ld = (size_t)cs; return 1; }
    return -1;
}

NRXI_FN nrx_tensor *nrxi_t_mt(nrx_tensor *x) { return nrx_t_transpose(x, -1, -2); }

NRXI_FN nrx_tensor *nrxi_t_matmul2(nrx_tensor *a, nrx_tensor *b);
NRXI_FN void nrxi_t_b_matmul(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    nrx_tensor *a = NRXI_T_IN(y, 0), *b = NRXI_T_IN(y, 1);
    if (NRXI_T_WANTS(y, 0)) gx[0] = nrxi_t_sum_to(nrxi_t_matmul2(g, nrxi_t_mt(b)), a);
    if (NRXI_T_WANTS(y, 1)) gx[1] = nrxi_t_sum_to(nrxi_t_matmul2(nrxi_t_mt(a), g), b);
}
static const nrxi_t_op nrxi_t_op_matmul = { "nrx_t_matmul", nrxi_t_b_matmul, 3 };

/* [batch.., m, k] by [batch.., k, n] with broadcast batches. */
NRXI_FN nrx_tensor *nrxi_t_matmul2(nrx_tensor *a, nrx_tensor *b)
{
    nrx_scope *s = nrxi_t_enter2("nrx_t_matmul", a, b, NRXI_T_FLOAT | NRXI_T_SAME);
    nrx_tensor *y, *pa, *pb, ba, bb;
    nrx_shape shape;
    nrxi_t_label_info la, lb;
    size_t m, n, k, lda = 1, ldb = 1, i, batches, work_count;
    int ta, tb, nb;
    void *work = NULL;
    if (!s) return NULL;
    m = a->shape[a->ndim - 2];
    k = a->shape[a->ndim - 1];
    n = b->shape[b->ndim - 1];
    if (b->shape[b->ndim - 2] != k)
        return nrxi_t_fail(s, NRX_E_SHAPE, "nrx_t_matmul: %s by %s: inner sizes %zu and %zu differ",
                           nrxi_t_label(&la, a), nrxi_t_label(&lb, b), k, b->shape[b->ndim - 2]);
    ba = *a; ba.ndim -= 2;
    bb = *b; bb.ndim -= 2;
    if (!nrxi_t_broadcast("nrx_t_matmul", &ba, &bb, &shape)) return NULL;
    nb = shape.ndim;
    shape.n[shape.ndim++] = m;
    shape.n[shape.ndim++] = n;
    y = nrxi_t_new(s, &nrxi_t_op_matmul, a->dtype, shape);
    if (!y) return NULL;
    nrx_t_begin(s);
    pa = nrxi_t_mat_layout(a, &lda) < 0 ? nrxi_t_plain(nrx_t_detach(a), &nrxi_t_op_matmul) : a;
    pb = nrxi_t_mat_layout(b, &ldb) < 0 ? nrxi_t_plain(nrx_t_detach(b), &nrxi_t_op_matmul) : b;
    work_count = a->dtype == NRX_F32 ? nrxi_gemm_work_f32(m, n, k) : nrxi_gemm_work_f64(m, n, k);
    if (work_count)
        work = nrxi_t_work(s, work_count, nrxi_dtype_size(a->dtype)); /* NULL: gemm has a way without */
    batches = y->size ? y->size / (m * n) : 0;
    if (pa && pb && y->size) {
        ta = nrxi_t_mat_layout(pa, &lda);
        tb = nrxi_t_mat_layout(pb, &ldb);
        for (i = 0; i < batches; i++) {
            ptrdiff_t oa = 0, ob = 0;
            size_t rest = i;
            int d;
            for (d = nb - 1; d >= 0; d--) {
                size_t at = rest % shape.n[d];
                int da = d - (nb - (pa->ndim - 2)), db = d - (nb - (pb->ndim - 2));
                rest /= shape.n[d];
                if (da >= 0 && pa->shape[da] != 1) oa += (ptrdiff_t)at * pa->stride[da];
                if (db >= 0 && pb->shape[db] != 1) ob += (ptrdiff_t)at * pb->stride[db];
            }
            if (a->dtype == NRX_F32)
                nrxi_gemm_f32(ta, tb, m, n, k, 1, (const float *)pa->data + oa, lda,
                              (const float *)pb->data + ob, ldb, 0, (float *)y->data + i * m * n, n,
                              (float *)work, &s->env);
            else
                nrxi_gemm_f64(ta, tb, m, n, k, 1, (const double *)pa->data + oa, lda,
                              (const double *)pb->data + ob, ldb, 0, (double *)y->data + i * m * n, n,
                              (double *)work, &s->env);
        }
    }
    nrxi_t_work_drop(s, work);
    nrx_t_end(s, NULL);
    if (!pa || !pb) { nrxi_t_disown(y); return NULL; }
    return nrxi_t_link2(y, a, b);
}

NRX_DEF nrx_tensor *nrx_t_matmul(nrx_tensor *a, nrx_tensor *b)
{
    nrx_scope *s = nrxi_t_enter2("nrx_t_matmul", a, b, NRXI_T_FLOAT | NRXI_T_SAME);
    nrx_tensor *p = a, *q = b, *y;
    nrx_shape shape;
    nrxi_t_label_info la, lb;
    int d;
    if (!s) return NULL;
    if (a->ndim == 0 || b->ndim == 0)
        return nrxi_t_fail(s, NRX_E_SHAPE, "nrx_t_matmul: %s by %s: a number is not a matrix, use nrx_t_mul",
                           nrxi_t_label(&la, a), nrxi_t_label(&lb, b));
    if (a->ndim >= 2 && b->ndim == 2 && a->ndim == 2) return nrxi_t_matmul2(a, b);
    nrx_t_begin(s);
    if (a->ndim == 1) p = nrx_t_unsqueeze(a, 0);
    if (b->ndim == 1) q = nrx_t_unsqueeze(b, 1);
    if (p && q && p->ndim > 2 && q->ndim == 2 && p->shape[p->ndim - 1] == q->shape[0] &&
        p->size) { /* one tall product, and one for the gradient of b */
        shape = nrx_t_shape(p);
        shape.n[shape.ndim - 1] = q->shape[1];
        y = nrxi_t_matmul2(nrx_t_reshape(p, nrx_s2(NRX_AUTO, p->shape[p->ndim - 1])), q);
        y = nrx_t_reshape(y, shape);
    } else y = nrxi_t_matmul2(p, q);
    d = 0;
    if (y && b->ndim == 1) { y = nrx_t_select(y, -1, 0); d = 1; }
    if (y && a->ndim == 1) y = nrx_t_select(y, d ? -1 : -2, 0);
    return nrx_t_end(s, y);
}

/* einsum: each operand is a tensor and one letter per axis */

typedef struct nrxi_t_labeled { nrx_tensor *x; char l[NRX_MAX_DIMS + 1]; } nrxi_t_labeled;

NRXI_FN void nrxi_t_ein_drop(char *l, int k) { memmove(l + k, l + k + 1, strlen(l + k)); }

/* Sums away the letters that are in neither `out` nor `rest`; repeated letters become diagonals first. */
NRXI_FN void nrxi_t_ein_tidy(nrxi_t_labeled *a, const char *out, const char *rest)
{
    unsigned axes = 0;
    int i, k = 0;
    for (i = 0; a->x && a->l[i]; i++) {
        const char *again = strchr(a->l + i + 1, a->l[i]);
        if (again) {
            char c = a->l[i];
            int j = (int)(again - a->l);
            a->x = nrx_t_diagonal(a->x, i, j);
            nrxi_t_ein_drop(a->l, j);
            nrxi_t_ein_drop(a->l, i);
            k = (int)strlen(a->l);
            a->l[k] = c;
            a->l[k + 1] = 0;
            i = -1;
        }
    }
    for (i = 0, k = 0; a->l[i]; i++) if (!strchr(out, a->l[i]) && !strchr(rest, a->l[i])) axes |= 1u << i;
    if (!axes) return;
    a->x = nrx_t_sum(a->x, axes, 0);
    for (i = k = 0; a->l[i]; i++) if (!(axes >> i & 1u)) a->l[k++] = a->l[i];
    a->l[k] = 0;
}

/* Axes in the order of the letters. */
NRXI_FN nrx_tensor *nrxi_t_ein_order(const nrxi_t_labeled *a, const char *letters)
{
    int order[NRX_MAX_DIMS], i;
    for (i = 0; letters[i]; i++) order[i] = (int)(strchr(a->l, letters[i]) - a->l);
    return nrx_t_permute(a->x, order);
}

/* a <- contraction of a and b as one batched matrix product: letters kept by both are the batch. */
NRXI_FN void nrxi_t_ein_pair(nrxi_t_labeled *a, nrxi_t_labeled *b, const char *out, const char *rest)
{
    char batch[NRX_MAX_DIMS + 1] = "", in[NRX_MAX_DIMS + 1] = "", fa[NRX_MAX_DIMS + 1] = "",
                              fb[NRX_MAX_DIMS + 1] = "";
    char la[4 * NRX_MAX_DIMS], lb[4 * NRX_MAX_DIMS], ly[4 * NRX_MAX_DIMS];
    size_t nb = 1, nk = 1, nm = 1, nn = 1;
    nrx_tensor *p, *q;
    nrx_shape shape;
    int i;
    nrxi_t_ein_tidy(a, out, b->l[0] ? b->l : rest);
    for (i = 0; a->l[i]; i++) { /* letters of a that b or the rest still needs were kept above only if b has
                                   them: see the caller */
        char *to = strchr(b->l, a->l[i]) ? (strchr(out, a->l[i]) || strchr(rest, a->l[i]) ? batch : in) : fa;
        size_t *n = to == batch ? &nb : to == in ? &nk : &nm, len = strlen(to);
        to[len] = a->l[i];
        to[len + 1] = 0;
        *n *= a->x->shape[i];
    }
    for (i = 0; b->l[i]; i++)
        if (!strchr(a->l, b->l[i])) {
            size_t len = strlen(fb);
            fb[len] = b->l[i];
            fb[len + 1] = 0;
            nn *= b->x->shape[i];
        }
    if (strlen(batch) + strlen(fa) + strlen(fb) > NRX_MAX_DIMS) {
        a->x = nrxi_t_fail(a->x->scope, NRX_E_UNSUPPORTED,
                           "nrx_t_einsum: an intermediate result has more than 8 axes");
        return;
    }
    strcpy(la, batch); strcat(la, fa); strcat(la, in);
    strcpy(lb, batch); strcat(lb, in); strcat(lb, fb);
    strcpy(ly, batch); strcat(ly, fa); strcat(ly, fb);
    shape.ndim = (int)strlen(ly);
    for (i = 0; ly[i]; i++)
        shape.n[i] = strchr(a->l, ly[i]) ? a->x->shape[strchr(a->l, ly[i]) - a->l]
                                         : b->x->shape[strchr(b->l, ly[i]) - b->l];
    p = nrx_t_reshape(nrxi_t_ein_order(a, la), nrx_s3(nb, nm, nk));
    q = nrx_t_reshape(nrxi_t_ein_order(b, lb), nrx_s3(nb, nk, nn));
    a->x = nrx_t_reshape(p && q ? nrxi_t_matmul2(p, q) : NULL, shape);
    strcpy(a->l, ly);
}

NRX_DEF nrx_tensor *nrx_t_einsum(const char *spec, nrx_tensor *const *x, size_t n)
{
    nrx_scope *s = x && n ? nrxi_t_enter("nrx_t_einsum", x, n, NRXI_T_FLOAT | NRXI_T_SAME) : NULL;
    nrxi_t_labeled a, b;
    char in[8][NRX_MAX_DIMS + 1], out[60] = "", rest[70], all[70];
    size_t size[128], op = 0, i;
    const char *c = spec;
    int len = 0, k, count[128], arrow = 0;
    if (!s) return NULL;
    if (!spec || n > 8)
        return nrxi_t_fail(s, NRX_E_ARG, "nrx_t_einsum: no specification, or more than 8 operands");
    memset(count, 0, sizeof count);
    for (;; c++) { /* inputs, then the result */
        if (*c == ' ') continue;
        if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z')) {
            if (arrow) {
                if (strchr(out, *c) || !count[(int)*c])
                    return nrxi_t_fail(s, NRX_E_ARG, "nrx_t_einsum: \"%s\": result letter %c", spec, *c);
                out[len++] = *c;
                out[len] = 0;
                continue;
            }
            if (op >= n || len >= x[op]->ndim)
                return nrxi_t_fail(s, NRX_E_SHAPE,
                                   "nrx_t_einsum: \"%s\" has more letters than operand %zu axes", spec,
                                   op + 1);
            if (count[(int)*c]++ && size[(int)*c] != x[op]->shape[len])
                return nrxi_t_fail(s, NRX_E_SHAPE, "nrx_t_einsum: \"%s\": sizes of %c: %zu and %zu", spec, *c,
                                   size[(int)*c], x[op]->shape[len]);
            size[(int)*c] = x[op]->shape[len];
            in[op][len++] = *c;
            continue;
        }
        if (!arrow && (*c == ',' || *c == 0 || (*c == '-' && c[1] == '>'))) {
            if (op >= n || len != x[op]->ndim)
                return nrxi_t_fail(s, NRX_E_SHAPE, "nrx_t_einsum: \"%s\" does not fit operand %zu", spec,
                                   op + 1);
            in[op++][len] = 0;
            len = 0;
            if (*c == ',') continue;
            if (*c) { arrow = 1; c++; continue; }
        }
        if (*c == 0) break;
        return nrxi_t_fail(s, NRX_E_ARG, "nrx_t_einsum: \"%s\": unexpected %c", spec, *c);
    }
    if (op != n)
        return nrxi_t_fail(s, NRX_E_ARG, "nrx_t_einsum: \"%s\" names %zu operands of %zu", spec, op, n);
    if (!arrow) for (k = 0; k < 128; k++) if (count[k] == 1) { out[len++] = (char)k; out[len] = 0; }
    if (len > NRX_MAX_DIMS)
        return nrxi_t_fail(s, NRX_E_UNSUPPORTED, "nrx_t_einsum: \"%s\" has more than 8 result axes", spec);
    nrx_t_begin(s);
    a.x = x[0];
    strcpy(a.l, in[0]);
    for (op = 1; op <= n; op++) {
        rest[0] = 0; /* letters of the operands after op, and with op itself */
        for (i = op + 1; i < n; i++) strcat(rest, in[i]);
        if (op == n || !a.x) break;
        b.x = x[op];
        strcpy(b.l, in[op]);
        strcpy(all, rest);
        strcat(all, in[op]);
        nrxi_t_ein_tidy(&a, out, all);
        strcpy(all, rest);
        strcat(all, a.l);
        nrxi_t_ein_tidy(&b, out, all);
        if (a.x && b.x) nrxi_t_ein_pair(&a, &b, out, rest);
        else a.x = NULL;
    }
    if (a.x) {
        nrxi_t_ein_tidy(&a, out, "");
        if (a.x) a.x = nrxi_t_ein_order(&a, out);
    }
    return nrx_t_end(s, a.x);
}

NRXI_GLUE_END

/* -- convolution. Three maps, each linear in both operands and each other's derivatives:
      F  y  = correlation of x with w        X  x' = adjoint of F in x, applied to g        W  w' = adjoint of
   F in w, applied to x, g F and X run one kernel: the input is copied once into a zero-padded buffer (split
   into phases for a stride, so that pixels of a row are neighbours), a table holds the offset of each tap of
   each input channel, and a register tile of output channels x pixels is summed over the table. W is a dot
   product of the same buffer with g for each tap. All spatial work has three axes. -- */

typedef struct nrxi_t_conv_geo {
    size_t n, ci, co, groups, in[3], out[3], k[3], s[3], d[3], p[3];
    int nd;                               /* spatial axes of the tensors: the last nd of three */
} nrxi_t_conv_geo;

typedef struct nrxi_t_conv_buffer { /* element (c, phase, e) = source at e * step + phase + lo on each axis,
                                     or zero */
    size_t channels, e[3], step[3], plane,
        size; /* plane: elements of one phase; size: of the whole, with slack */
    ptrdiff_t lo[3];
} nrxi_t_conv_buffer;

/* The buffer F and W read x through, for one group. */
NRXI_FN int nrxi_t_conv_input_buffer(const nrxi_t_conv_geo *g, nrxi_t_conv_buffer *b)
{
    size_t phases = 1, size;
    int a;
    b->channels = g->ci / g->groups;
    b->plane = 1;
    for (a = 0; a < 3; a++) {
        b->step[a] = g->s[a];
        b->lo[a] = -(ptrdiff_t)g->p[a];
        b->e[a] = g->out[a] + (g->k[a] - 1) * g->d[a] / g->s[a];
        if (!nrxi_mul_ok(phases, g->s[a], &phases) || !nrxi_mul_ok(b->plane, b->e[a], &b->plane)) return 0;
    }
    if (!nrxi_mul_ok(b->plane, phases, &size) || !nrxi_mul_ok(size, b->channels, &size) ||
        !nrxi_add_ok(size, 64, &b->size))
        return 0;
    return 1;
}

/* The buffer X reads g through. */
NRXI_FN int nrxi_t_conv_output_buffer(const nrxi_t_conv_geo *g, nrxi_t_conv_buffer *b)
{
    size_t size;
    int a;
    b->channels = g->co / g->groups;
    b->plane = 1;
    for (a = 0; a < 3; a++) {
        b->step[a] = 1;
        b->lo[a] = (ptrdiff_t)(g->p[a] / g->s[a]) - (ptrdiff_t)((g->k[a] - 1) * g->d[a] / g->s[a]);
        b->e[a] = (size_t)((ptrdiff_t)((g->p[a] + g->in[a] - 1) / g->s[a]) - b->lo[a] + 1);
        if (!nrxi_mul_ok(b->plane, b->e[a], &b->plane)) return 0;
    }
    return nrxi_mul_ok(b->plane, b->channels, &size) && nrxi_add_ok(size, 64, &b->size);
}

/* Offsets of the taps (channel, kd, kh, kw) of F; returns their number. */
NRXI_FN size_t nrxi_t_conv_taps(const nrxi_t_conv_geo *g, const nrxi_t_conv_buffer *b, size_t *off)
{
    size_t c, i[3], count = 0, phases = b->step[0] * b->step[1] * b->step[2];
    for (c = 0; c < b->channels; c++)
        for (i[0] = 0; i[0] < g->k[0]; i[0]++)
            for (i[1] = 0; i[1] < g->k[1]; i[1]++)
                for (i[2] = 0; i[2] < g->k[2]; i[2]++) {
                    size_t phase = 0, at = 0;
                    int a;
                    for (a = 0; a < 3; a++) {
                        phase = phase * b->step[a] + i[a] * g->d[a] % b->step[a];
                        at = at * b->e[a] + i[a] * g->d[a] / b->step[a];
                    }
                    off[count++] = (c * phases + phase) * b->plane + at;
                }
    return count;
}

#define NRXI_T_CONV_INIT(r, S) v x##r = NRXI_GEMM_SPLAT_##S(bias[r]), y##r = x##r;
#define NRXI_T_CONV_STEP(r, S)                                                                   \
    {                                                                                          \
        const v t = NRXI_GEMM_SPLAT_##S(w[r]);                                                 \
        x##r = NRXI_GEMM_FMA_##S(t, b0, x##r);                                                 \
        y##r = NRXI_GEMM_FMA_##S(t, b1, y##r);                                                 \
    }
#define NRXI_T_CONV_STORE(r, S)                                                                  \
    *(vu *)(c + r * ldc) = x##r;                                                               \
    *(vu *)(c + r * ldc + lanes) = y##r;
/* c[r][j] = bias[r] + sum_p w[p][r] x[off[p] + j] for MR channels r and two vectors of pixels j */
#define NRXI_T_CONV_TILE(name, target, elem, vec, ROWS, MR, S)                                               \
    target NRXI_FN void name(size_t k, const void *weights, const void *in, const size_t *off,               \
                             const void *first, void *out, size_t ldc)                                       \
    {                                                                                                        \
        typedef vec v;                                                                                       \
        typedef vec##u vu;                                                                                   \
        enum { lanes = sizeof(v) / sizeof(elem) };                                                           \
        const elem *w = (const elem *)weights, *x = (const elem *)in, *bias = (const elem *)first;           \
        elem *c = (elem *)out;                                                                               \
        ROWS(NRXI_T_CONV_INIT, S)                                                                            \
        for (; k > 0; k--, w += MR, off++) {                                                                 \
            const elem *b = x + *off;                                                                        \
            const v b0 = *(const vu *)b, b1 = *(const vu *)(b + lanes);                                      \
            ROWS(NRXI_T_CONV_STEP, S)                                                                        \
        }                                                                                                    \
        ROWS(NRXI_T_CONV_STORE, S)                                                                           \
    }
/* Keeps a vector in its register: gcc would load it again for each use. */
#define NRXI_T_CONV_PIN_F32X4(x)
#define NRXI_T_CONV_PIN_F64X2(x)
#define NRXI_T_CONV_PIN_F32X8(x) __asm__("" : "+v"(x));
#define NRXI_T_CONV_PIN_F64X4(x) NRXI_T_CONV_PIN_F32X8(x)
#define NRXI_T_CONV_PIN_F32X16(x) NRXI_T_CONV_PIN_F32X8(x)
#define NRXI_T_CONV_PIN_F64X8(x) NRXI_T_CONV_PIN_F32X8(x)
#define NRXI_T_CONV_ACC(r, S)                                                                                \
    {                                                                                                        \
        v gr = *(const vu *)(g + r * gs + i);                                                                \
        NRXI_T_CONV_PIN_##S(gr)                                                                              \
        x##r = NRXI_GEMM_FMA_##S(gr, t0, x##r);                                                              \
        y##r = NRXI_GEMM_FMA_##S(gr, t1, y##r);                                                              \
        z##r = NRXI_GEMM_FMA_##S(gr, t2, z##r);                                                              \
    }
#define NRXI_T_CONV_OUT(r)                                                                       \
    *(vu *)(t + (3 * r) * lanes) = x##r;                                                       \
    *(vu *)(t + (3 * r + 1) * lanes) = y##r;                                                   \
    *(vu *)(t + (3 * r + 2) * lanes) = z##r;
/* sum[3 r + q] = sum_i g[r][i] x[off[q] + i] for four channels r and three taps q; n is a multiple of 16 */
#define NRXI_T_CONV_DOT(name, target, elem, vec, S)                                                          \
    target NRXI_FN void name(size_t n, const void *gradient, size_t gs, const void *in, const size_t *off,   \
                             double *sum)                                                                    \
    {                                                                                                        \
        typedef vec v;                                                                                       \
        typedef vec##u vu;                                                                                   \
        enum { lanes = sizeof(v) / sizeof(elem), half = lanes / 2 };                                         \
        const elem *g = (const elem *)gradient, *x = (const elem *)in;                                       \
        const elem *p0 = x + off[0], *p1 = x + off[1], *p2 = x + off[2];                                     \
        const v zero = {0};                                                                                  \
        v x0 = zero, x1 = zero, x2 = zero, x3 = zero, y0 = zero, y1 = zero, y2 = zero, y3 = zero;            \
        v z0 = zero, z1 = zero, z2 = zero, z3 = zero;                                                        \
        elem t[12 * lanes];                                                                                  \
        size_t i, k;                                                                                         \
        for (i = 0; i < n; i += lanes) {                                                                     \
            const v t0 = *(const vu *)(p0 + i), t1 = *(const vu *)(p1 + i), t2 = *(const vu *)(p2 + i);      \
            NRXI_T_CONV_ACC(0, S) NRXI_T_CONV_ACC(1, S) NRXI_T_CONV_ACC(2, S) NRXI_T_CONV_ACC(3, S)          \
        }                                                                                                    \
        NRXI_T_CONV_OUT(0) NRXI_T_CONV_OUT(1) NRXI_T_CONV_OUT(2) NRXI_T_CONV_OUT(3) for (k = 0; k < 12; k++) \
        {                                                                                                    \
            elem a = 0, b = 0;                                                                               \
            for (i = 0; i < half; i++) {                                                                     \
                a += t[k * lanes + i];                                                                       \
                b += t[k * lanes + half + i];                                                                \
            }                                                                                                \
            sum[k] = (double)(a + b);                                                                        \
        }                                                                                                    \
    }
/* The same in plain C. */
#define NRXI_T_CONV_PLAIN(elem, S)                                                                           \
    NRXI_FN void nrxi_t_conv_tile_c_##S(size_t k, const void *weights, const void *in, const size_t *off,    \
                                      const void *first, void *out, size_t ldc)                              \
    {                                                                                                        \
        const elem *w = (const elem *)weights, *x = (const elem *)in, *bias = (const elem *)first;           \
        elem t[4][8], *c = (elem *)out;                                                                      \
        size_t p, r, j;                                                                                      \
        for (r = 0; r < 4; r++)                                                                              \
            for (j = 0; j < 8; j++) t[r][j] = bias[r];                                                       \
        for (p = 0; p < k; p++)                                                                              \
            for (r = 0; r < 4; r++)                                                                          \
                for (j = 0; j < 8; j++) t[r][j] += w[4 * p + r] * x[off[p] + j];                             \
        for (r = 0; r < 4; r++)                                                                              \
            for (j = 0; j < 8; j++) c[r * ldc + j] = t[r][j];                                                \
    }                                                                                                        \
    NRXI_FN void nrxi_t_conv_dot_c_##S(size_t n, const void *gradient, size_t gs, const void *in,            \
                                     const size_t *off, double *sum)                                         \
    {                                                                                                        \
        const elem *g = (const elem *)gradient, *x = (const elem *)in;                                       \
        size_t k, i;                                                                                         \
        for (k = 0; k < 12; k++) {                                                                           \
            double t = 0;                                                                                    \
            for (i = 0; i < n; i++) t += (double)(g[k / 3 * gs + i] * x[off[k % 3] + i]);                    \
            sum[k] = t;                                                                                      \
        }                                                                                                    \
    }
NRXI_T_CONV_PLAIN(float, f32)
NRXI_T_CONV_PLAIN(double, f64)
#define NRXI_T_CONV_ROWS1(X, S)                                                                              \
    X(0, S) /* one output channel: the last layer of a network, or the gradient of an image */
#if defined(NRXI_VEC)
NRXI_T_CONV_TILE(nrxi_t_conv_tile1_v16_f32, , float, nrxi_f32x4, NRXI_T_CONV_ROWS1, 1, F32X4)
NRXI_T_CONV_TILE(nrxi_t_conv_tile1_v16_f64, , double, nrxi_f64x2, NRXI_T_CONV_ROWS1, 1, F64X2)
NRXI_T_CONV_TILE(nrxi_t_conv_tile_v16_f32, , float, nrxi_f32x4, NRXI_GEMM_ROWS6, 6, F32X4)
NRXI_T_CONV_TILE(nrxi_t_conv_tile_v16_f64, , double, nrxi_f64x2, NRXI_GEMM_ROWS6, 6, F64X2)
NRXI_T_CONV_DOT(nrxi_t_conv_dot_v16_f32, , float, nrxi_f32x4, F32X4)
NRXI_T_CONV_DOT(nrxi_t_conv_dot_v16_f64, , double, nrxi_f64x2, F64X2)
#endif
#if defined(NRXI_X86)
NRXI_T_CONV_TILE(nrxi_t_conv_tile1_avx2_f32, NRXI_AVX2, float, nrxi_f32x8, NRXI_T_CONV_ROWS1, 1, F32X8)
NRXI_T_CONV_TILE(nrxi_t_conv_tile1_avx2_f64, NRXI_AVX2, double, nrxi_f64x4, NRXI_T_CONV_ROWS1, 1, F64X4)
NRXI_T_CONV_TILE(nrxi_t_conv_tile1_avx512_f32, NRXI_AVX512, float, nrxi_f32x16, NRXI_T_CONV_ROWS1, 1, F32X16)
NRXI_T_CONV_TILE(nrxi_t_conv_tile1_avx512_f64, NRXI_AVX512, double, nrxi_f64x8, NRXI_T_CONV_ROWS1, 1, F64X8)
NRXI_T_CONV_TILE(nrxi_t_conv_tile_avx2_f32, NRXI_AVX2, float, nrxi_f32x8, NRXI_GEMM_ROWS6, 6, F32X8)
NRXI_T_CONV_TILE(nrxi_t_conv_tile_avx2_f64, NRXI_AVX2, double, nrxi_f64x4, NRXI_GEMM_ROWS6, 6, F64X4)
NRXI_T_CONV_DOT(nrxi_t_conv_dot_avx2_f32, NRXI_AVX2, float, nrxi_f32x8, F32X8)
NRXI_T_CONV_DOT(nrxi_t_conv_dot_avx2_f64, NRXI_AVX2, double, nrxi_f64x4, F64X4)
NRXI_T_CONV_TILE(nrxi_t_conv_tile_avx512_f32, NRXI_AVX512, float, nrxi_f32x16, NRXI_GEMM_ROWS8, 8, F32X16)
NRXI_T_CONV_TILE(nrxi_t_conv_tile_avx512_f64, NRXI_AVX512, double, nrxi_f64x8, NRXI_GEMM_ROWS8, 8, F64X8)
NRXI_T_CONV_DOT(nrxi_t_conv_dot_avx512_f32, NRXI_AVX512, float, nrxi_f32x16, F32X16)
NRXI_T_CONV_DOT(nrxi_t_conv_dot_avx512_f64, NRXI_AVX512, double, nrxi_f64x8, F64X8)
#endif
enum {
    NRXI_T_CONV_TILE_MAX = 8 * 32 * 8,
    NRXI_T_CONV_BLOCK = 1024
}; /* bytes of a tile; pixels of one pass of the weight gradient */

typedef struct nrxi_t_conv_launch { /* positions and strides in elements of z bytes; everything else moves by
                                  memcpy */
    void (*tile)(size_t k, const void *w, const void *x, const size_t *off, const void *bias, void *c,
                 size_t ldc);
    void (*dot)(size_t n, const void *g, size_t gs, const void *x, const size_t *off, double *sum);
    size_t z, mr, width;
    size_t k, channels, blocks, *off;     /* taps; output channels, in blocks of mr */
    unsigned char *w, *bias, *buf, *out;  /* w: blocks x k x mr, bias: blocks x mr, padded with zeros */
    size_t n[3], bd, bh; /* output positions; elements of buf from one depth and one row to the next */
    int flat;            /* rows are walked as one, positions beyond n[2] in a row are left out */
    size_t row, tiles_per_row, tiles, per_chunk;
    size_t oc, os[3];                     /* strides of the output: channel and axes */
    size_t gd, gc; /* weight gradient: w holds rows of g, padded like buf, gc per channel, gd per depth */
    double *sum;                          /* channels x k */
} nrxi_t_conv_launch;

NRXI_FN void nrxi_t_conv_choose(nrxi_t_conv_launch *r, int dtype, size_t channels,
                                const nrxi_t_conv_buffer *b)
{
    int wide = dtype == NRX_F64, one = channels == 1;
    (void)one;
    memset(r, 0, sizeof *r);
    r->z = nrxi_dtype_size(dtype);
    r->bh = b->e[2];
    r->bd = b->e[1] * b->e[2];
    r->mr = 4;
    r->width = 8;
    r->tile = wide ? nrxi_t_conv_tile_c_f64 : nrxi_t_conv_tile_c_f32;
    r->dot = wide ? nrxi_t_conv_dot_c_f64 : nrxi_t_conv_dot_c_f32;
#if defined(NRXI_VEC)
    r->mr = one ? 1 : 6;
    r->width = 32 / r->z;
    r->tile = wide ? one ? nrxi_t_conv_tile1_v16_f64 : nrxi_t_conv_tile_v16_f64
                       : one ? nrxi_t_conv_tile1_v16_f32 : nrxi_t_conv_tile_v16_f32;
    r->dot = wide ? nrxi_t_conv_dot_v16_f64 : nrxi_t_conv_dot_v16_f32;
#endif
#if defined(NRXI_X86)
    if (nrxi_cpu_avx512()) {
        r->mr = one ? 1 : 8;
        r->width = 128 / r->z;
        r->tile = wide ? one ? nrxi_t_conv_tile1_avx512_f64 : nrxi_t_conv_tile_avx512_f64
                       : one ? nrxi_t_conv_tile1_avx512_f32 : nrxi_t_conv_tile_avx512_f32;
        r->dot = wide ? nrxi_t_conv_dot_avx512_f64 : nrxi_t_conv_dot_avx512_f32;
    } else if (nrxi_cpu_avx2()) {
        r->width = 64 / r->z;
        r->tile = wide ? one ? nrxi_t_conv_tile1_avx2_f64 : nrxi_t_conv_tile_avx2_f64
                       : one ? nrxi_t_conv_tile1_avx2_f32 : nrxi_t_conv_tile_avx2_f32;
        r->dot = wide ? nrxi_t_conv_dot_avx2_f64 : nrxi_t_conv_dot_avx2_f32;
    }
#endif
}

/* n elements of z bytes between strided arrays. */
NRXI_FN void nrxi_t_conv_move(size_t n, size_t z, unsigned char *to, size_t ts, const unsigned char *from,
                            size_t fs)
{
    size_t i;
    if (ts == 1 && fs == 1) memcpy(to, from, n * z);
    else if (z == 4) for (i = 0; i < n; i++) memcpy(to + 4 * i * ts, from + 4 * i * fs, 4);
    else for (i = 0; i < n; i++) memcpy(to + 8 * i * ts, from + 8 * i * fs, 8);
}

/* Fills buf from src [channels][n0][n1][n2]. */
NRXI_FN void nrxi_t_conv_fill(const nrxi_t_conv_buffer *b, size_t z, const unsigned char *src,
                              const size_t *n, unsigned char *buf)
{
    size_t c, f[3], e0, e1, lo, hi;
    memset(buf, 0, b->size * z);
    for (c = 0; c < b->channels; c++, src += n[0] * n[1] * n[2] * z)
        for (f[0] = 0; f[0] < b->step[0]; f[0]++)
            for (f[1] = 0; f[1] < b->step[1]; f[1]++)
                for (f[2] = 0; f[2] < b->step[2]; f[2]++, buf += b->plane * z) {
                    ptrdiff_t first = b->lo[2] + (ptrdiff_t)f[2],
                              st = (ptrdiff_t)b->step[2]; /* e reads first + e st */
                    lo = first < 0 ? (size_t)((-first + st - 1) / st) : 0;
                    hi = (ptrdiff_t)n[2] > first ? (size_t)(((ptrdiff_t)n[2] - first + st - 1) / st) : 0;
                    if (hi > b->e[2]) hi = b->e[2];
                    for (e0 = 0; e0 < b->e[0] && lo < hi; e0++)
                        for (e1 = 0; e1 < b->e[1]; e1++) {
                            ptrdiff_t i0 = b->lo[0] + (ptrdiff_t)(f[0] + e0 * b->step[0]);
                            ptrdiff_t i1 = b->lo[1] + (ptrdiff_t)(f[1] + e1 * b->step[1]);
                            if (i0 < 0 || i1 < 0 || i0 >= (ptrdiff_t)n[0] || i1 >= (ptrdiff_t)n[1]) continue;
                            nrxi_t_conv_move(hi - lo, z, buf + ((e0 * b->e[1] + e1) * b->e[2] + lo) * z, 1,
                                           src + (((size_t)i0 * n[1] + (size_t)i1) * n[2] +
                                                  (size_t)(first + (ptrdiff_t)lo * st)) *
                                                     z,
                                           (size_t)st);
                        }
                }
}

NRXI_FN void nrxi_t_conv_job(void *arg, size_t chunk)
{
    const nrxi_t_conv_launch *r = (const nrxi_t_conv_launch *)arg;
    double aligned[NRXI_T_CONV_TILE_MAX / 8];
    unsigned char *t = (unsigned char *)aligned;
    size_t z = r->z, tile = chunk * r->per_chunk,
           last = r->tiles - tile > r->per_chunk ? tile + r->per_chunk : r->tiles, b, c, j, part;
    for (; tile < last; tile++) {
        size_t row = tile / r->tiles_per_row, q = tile % r->tiles_per_row * r->width;
        size_t d = r->flat ? row : row / r->n[1], h = r->flat ? q / r->bh : row % r->n[1],
               x = r->flat ? q % r->bh : q;
        size_t valid = r->row - q < r->width ? r->row - q : r->width;
        const unsigned char *in = r->buf + (d * r->bd + (r->flat ? 0 : h * r->bh) + q) * z;
        for (b = 0; b < r->blocks; b++) {
            size_t first = b * r->mr, channels = r->channels - first < r->mr ? r->channels - first : r->mr;
            unsigned char *out = r->out + (first * r->oc + d * r->os[0]) * z;
            const unsigned char *w = r->w + first * r->k * z, *bias = r->bias + first * z;
            if (channels == r->mr && r->os[2] == 1 && x + r->width <= r->n[2]) {
                r->tile(r->k, w, in, r->off, bias, out + (h * r->os[1] + x) * z, r->oc);
                continue;
            }
            r->tile(r->k, w, in, r->off, bias, t, r->width);
            for (j = 0; j < valid; j += part) { /* pieces that lie in one row each */
                size_t hh = r->flat ? (q + j) / r->bh : h, xx = r->flat ? (q + j) % r->bh : x + j, keep;
                part = valid - j;
                if (r->flat && part > r->bh - xx) part = r->bh - xx;
                keep = xx >= r->n[2] ? 0 : part < r->n[2] - xx ? part : r->n[2] - xx;
                for (c = 0; c < channels && keep; c++)
                    nrxi_t_conv_move(keep, z, out + (c * r->oc + hh * r->os[1] + xx * r->os[2]) * z, r->os[2],
                                   t + (c * r->width + j) * z, 1);
            }
        }
    }
}

/* Chooses row or flat order, whichever computes less for nothing, and runs. */
NRXI_FN void nrxi_t_conv_go(nrxi_t_conv_launch *r, const nrx_env *env)
{
    size_t by_rows, flat_row, by_flat, flops;
    if (r->n[0] == 0 || r->n[1] == 0 || r->n[2] == 0) return;
    by_rows = (r->n[2] + r->width - 1) / r->width * r->n[1];
    flat_row = (r->n[1] - 1) * r->bh + r->n[2];
    by_flat = (flat_row + r->width - 1) / r->width;
    r->flat = by_flat < by_rows;
    r->row = r->flat ? flat_row : r->n[2];
    r->tiles_per_row = (r->row + r->width - 1) / r->width;
    r->tiles = r->tiles_per_row * (r->flat ? r->n[0] : r->n[0] * r->n[1]);
    flops = r->k * r->width * r->channels + 1;
    r->per_chunk = flops > 4000000 ? 1 : 4000000 / flops;
    nrxi_parallel(env, (r->tiles - 1) / r->per_chunk + 1, nrxi_t_conv_job, r);
}

NRXI_FN size_t nrxi_t_volume(const size_t *n) { return n[0] * n[1] * n[2]; }

/* F for all images: x [n][ci][in], y [n][co][out]. pack is work; bias may be NULL. */
NRXI_FN void nrxi_t_conv_forward(const nrxi_t_conv_geo *g, const nrxi_t_conv_buffer *b, nrxi_t_conv_launch *r,
                               const unsigned char *x, const unsigned char *w, const unsigned char *bias,
                               unsigned char *y, unsigned char *pack, const nrx_env *env)
{
    size_t i, group, c, z = r->z, cog = g->co / g->groups;
    r->k = nrxi_t_conv_taps(g, b, r->off);
    r->channels = cog;
    r->blocks = (cog + r->mr - 1) / r->mr;
    memcpy(r->n, g->out, sizeof r->n);
    r->oc = nrxi_t_volume(g->out);
    r->os[0] = g->out[1] * g->out[2];
    r->os[1] = g->out[2];
    r->os[2] = 1;
    r->w = pack;
    r->bias = pack + r->blocks * r->mr * r->k * z;
    for (group = 0; group < g->groups; group++) {
        memset(pack, 0, r->blocks * r->mr * (r->k + 1) * z);
        for (c = 0; c < cog; c++) {
            nrxi_t_conv_move(r->k, z, pack + (c / r->mr * r->mr * r->k + c % r->mr) * z, r->mr,
                           w + (group * cog + c) * r->k * z, 1);
            if (bias) memcpy(r->bias + c * z, bias + (group * cog + c) * z, z);
        }
        for (i = 0; i < g->n; i++) {
            nrxi_t_conv_fill(b, z, x + (i * g->ci + group * b->channels) * nrxi_t_volume(g->in) * z, g->in,
                           r->buf);
            r->out = y + (i * g->co + group * cog) * r->oc * z;
            nrxi_t_conv_go(r, env);
        }
    }
}

/* Packs for phase f of X the taps that reach it, with q0 its first position; returns their number. */
NRXI_FN size_t nrxi_t_conv_phase_taps(const nrxi_t_conv_geo *g, const nrxi_t_conv_buffer *b,
                                      nrxi_t_conv_launch *r, const size_t *f, const ptrdiff_t *q0,
                                      size_t group, const unsigned char *w)
{
    size_t o, t[3], k, count, total = 0, cig = g->ci / g->groups, kernel = nrxi_t_volume(g->k), c;
    for (count = 0; count < 2; count++) /* how many first, then the packing */
        for (o = 0, k = 0; o < b->channels; o++)
            for (t[0] = 0; t[0] < g->k[0]; t[0]++)
                for (t[1] = 0; t[1] < g->k[1]; t[1]++)
                    for (t[2] = 0; t[2] < g->k[2]; t[2]++) {
                        size_t at = 0, from;
                        int a;
                        for (a = 0; a < 3 && t[a] * g->d[a] % g->s[a] == f[a]; a++)
                            at = at * b->e[a] +
                                 (size_t)(q0[a] - b->lo[a] - (ptrdiff_t)(t[a] * g->d[a] / g->s[a]));
                        if (a < 3) continue;
                        if (!count) { total++; continue; }
                        r->off[k] = o * b->plane + at;
                        from = (group * b->channels + o) * cig * kernel + (t[0] * g->k[1] + t[1]) * g->k[2] +
                               t[2];
                        for (c = 0; c < cig; c++)
                            memcpy(r->w + ((c / r->mr * total + k) * r->mr + c % r->mr) * r->z,
                                   w + (from + c * kernel) * r->z, r->z);
                        k++;
                    }
    return total;
}

/* X for all images: y [n][co][out] -> x [n][ci][in], one run for each phase of the stride: positions i = s q
 * + f - p. */
NRXI_FN void nrxi_t_conv_adjoint(const nrxi_t_conv_geo *g, const nrxi_t_conv_buffer *b, nrxi_t_conv_launch *r,
                               const unsigned char *y, const unsigned char *w, unsigned char *x,
                               unsigned char *pack, const nrx_env *env)
{
    size_t i, group, f[3], z = r->z, cig = g->ci / g->groups, taps = b->channels * nrxi_t_volume(g->k);
    int a;
    r->channels = cig;
    r->blocks = (cig + r->mr - 1) / r->mr;
    r->oc = nrxi_t_volume(g->in);
    for (a = 0; a < 3; a++) r->os[a] = g->s[a] * (a == 0 ? g->in[1] * g->in[2] : a == 1 ? g->in[2] : 1);
    r->w = pack;
    r->bias = pack + r->blocks * r->mr * taps * z;
    memset(pack, 0, r->blocks * r->mr * (taps + 1) * z);
    for (i = 0; i < g->n; i++)
        for (group = 0; group < g->groups; group++) {
            nrxi_t_conv_fill(b, z, y + (i * g->co + group * b->channels) * nrxi_t_volume(g->out) * z, g->out,
                           r->buf);
            for (f[0] = 0; f[0] < g->s[0]; f[0]++)
                for (f[1] = 0; f[1] < g->s[1]; f[1]++)
                    for (f[2] = 0; f[2] < g->s[2]; f[2]++) {
                        ptrdiff_t q0[3];
                        size_t start = 0;
                        for (a = 0; a < 3; a++) {
                            q0[a] =
                                g->p[a] > f[a] ? (ptrdiff_t)((g->p[a] - f[a] + g->s[a] - 1) / g->s[a]) : 0;
                            r->n[a] = g->p[a] + g->in[a] <= f[a]
                                          ? 0
                                          : (size_t)((ptrdiff_t)((g->p[a] + g->in[a] - 1 - f[a]) / g->s[a]) -
                                                     q0[a] + 1);
                            start += (g->s[a] * (size_t)q0[a] + f[a] - g->p[a]) * (r->os[a] / g->s[a]);
                        }
                        if (nrxi_t_volume(r->n) == 0) continue;
                        r->k = nrxi_t_conv_phase_taps(g, b, r, f, q0, group, w);
                        r->out = x + ((i * g->ci + group * cig) * r->oc + start) * z;
                        nrxi_t_conv_go(r, env);
                    }
        }
}

NRXI_FN void
nrxi_t_conv_dot_job(void *arg, size_t chunk) /* sixteen output channels, all taps, all pixels of one image */
{
    const nrxi_t_conv_launch *r = (const nrxi_t_conv_launch *)arg;
    size_t d, q, p, c, j, n, first, last = r->channels < 16 * chunk + 16 ? r->channels : 16 * chunk + 16;
    double sum[12];
    for (d = 0; d < r->n[0]; d++)
        for (q = 0; q < r->row; q += n) {
            n = r->row - q < NRXI_T_CONV_BLOCK ? r->row - q : (size_t)NRXI_T_CONV_BLOCK;
            for (first = 16 * chunk; first < last;
                 first += 4) /* this piece of the buffer stays in the cache */
                for (p = 0; p < r->k; p += 3) {
                    r->dot(n, r->w + (first * r->gc + d * r->gd + q) * r->z, r->gc,
                           r->buf + (d * r->bd + q) * r->z, r->off + p, sum);
                    for (c = 0; c < 4 && first + c < last; c++)
                        for (j = 0; j < 3 && p + j < r->k; j++)
                            r->sum[(first + c) * r->k + p + j] += sum[3 * c + j];
                }
        }
}

/* W: x [n][ci][in], y [n][co][out] -> w [co][ci / groups][k]. rows: work for co / groups, rounded up to four,
 * channels of y. */
NRXI_FN void nrxi_t_conv_weights(const nrxi_t_conv_geo *g, const nrxi_t_conv_buffer *b, nrxi_t_conv_launch *r,
                               const unsigned char *x, const unsigned char *y, nrx_tensor *w,
                               unsigned char *rows, const nrx_env *env)
{
    size_t i, group, c, d, h, z = r->z, cog = g->co / g->groups;
    r->k = nrxi_t_conv_taps(g, b, r->off);
    r->off[r->k] = r->off[r->k + 1] = r->off[r->k - 1];
    r->channels = cog;
    memcpy(r->n, g->out, sizeof r->n);
    r->row = ((g->out[1] - 1) * r->bh + g->out[2] + 15) / 16 * 16;
    r->gd = r->row;
    r->gc = r->gd * g->out[0];
    r->w = rows;
    memset(rows, 0, (cog + 3) / 4 * 4 * r->gc * z);
    for (group = 0; group < g->groups; group++) {
        for (c = 0; c < cog * r->k; c++) r->sum[c] = 0;
        for (i = 0; i < g->n; i++) {
            nrxi_t_conv_fill(b, z, x + (i * g->ci + group * b->channels) * nrxi_t_volume(g->in) * z, g->in,
                           r->buf);
            for (c = 0; c < cog; c++)
                for (d = 0; d < g->out[0]; d++)
                    for (h = 0; h < g->out[1]; h++)
                        memcpy(rows + (c * r->gc + d * r->gd + h * r->bh) * z,
                               y + ((i * g->co + group * cog + c) * nrxi_t_volume(g->out) +
                                    (d * g->out[1] + h) * g->out[2]) *
                                       z,
                               g->out[2] * z);
            nrxi_parallel(env, (cog + 15) / 16, nrxi_t_conv_dot_job, r);
        }
        for (c = 0; c < cog * r->k; c++)
            nrxi_t_store_value(w, (ptrdiff_t)(group * cog * r->k + c), r->sum[c]);
    }
}

static const size_t nrxi_t_one3[3] = {1, 1, 1};
NRXI_GLUE_BEGIN
NRXI_FN nrx_shape nrxi_t_conv_shape(size_t n, size_t c, const size_t *spatial, int nd)
{
    nrx_shape s = nrx_s2(n, c);
    int a;
    for (a = 3 - nd; a < 3; a++) s.n[s.ndim++] = spatial[a];
    return s;
}

NRXI_FN nrx_tensor *nrxi_t_conv_f(nrx_tensor *x, nrx_tensor *w, nrx_tensor *bias, const nrxi_t_conv_geo *g);
NRXI_FN nrx_tensor *nrxi_t_conv_x(nrx_tensor *y, nrx_tensor *w, const nrxi_t_conv_geo *g);
NRXI_FN nrx_tensor *nrxi_t_conv_w(nrx_tensor *x, nrx_tensor *y, const nrxi_t_conv_geo *g);

NRXI_FN void nrxi_t_b_conv_f(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    const nrxi_t_conv_geo *geo = (const nrxi_t_conv_geo *)y->node->blob;
    if (NRXI_T_WANTS(y, 0)) gx[0] = nrxi_t_conv_x(g, NRXI_T_IN(y, 1), geo);
    if (NRXI_T_WANTS(y, 1)) gx[1] = nrxi_t_conv_w(NRXI_T_IN(y, 0), g, geo);
    if (y->node->n_in == 3 && NRXI_T_WANTS(y, 2)) gx[2] = nrx_t_sum(g, (((1u << y->ndim) - 1u) & ~2u), 0);
}
NRXI_FN void nrxi_t_b_conv_x(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    const nrxi_t_conv_geo *geo = (const nrxi_t_conv_geo *)y->node->blob;
    if (NRXI_T_WANTS(y, 0)) gx[0] = nrxi_t_conv_f(g, NRXI_T_IN(y, 1), NULL, geo);
    if (NRXI_T_WANTS(y, 1)) gx[1] = nrxi_t_conv_w(g, NRXI_T_IN(y, 0), geo);
}
NRXI_FN void nrxi_t_b_conv_w(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    const nrxi_t_conv_geo *geo = (const nrxi_t_conv_geo *)y->node->blob;
    if (NRXI_T_WANTS(y, 0)) gx[0] = nrxi_t_conv_x(NRXI_T_IN(y, 1), g, geo);
    if (NRXI_T_WANTS(y, 1)) gx[1] = nrxi_t_conv_f(NRXI_T_IN(y, 0), g, NULL, geo);
}
static const nrxi_t_op nrxi_t_op_conv_f = { "nrx_t_conv", nrxi_t_b_conv_f, 3 };
static const nrxi_t_op nrxi_t_op_conv_x = { "nrx_t_conv_transpose", nrxi_t_b_conv_x, 3 };
static const nrxi_t_op nrxi_t_op_conv_w = { "nrx_t_conv (weight gradient)", nrxi_t_b_conv_w, 3 };

/* Runs map 'f', 'x' or 'w' on plain a, b into y; bias for 'f' only. */
NRXI_FN int nrxi_t_conv_run(char map, const nrxi_t_conv_geo *g, nrx_tensor *a, nrx_tensor *b,
                            nrx_tensor *bias, nrx_tensor *y)
{
    nrx_scope *s = a->scope;
    nrxi_t_conv_buffer buffer;
    nrxi_t_conv_launch r;
    size_t cig = g->ci / g->groups, cog = g->co / g->groups,
           taps = (map == 'x' ? cog : cig) * nrxi_t_volume(g->k), extra;
    const unsigned char *pa = (const unsigned char *)a->data, *pb = (const unsigned char *)b->data;
    unsigned char *pack = NULL, *py = (unsigned char *)y->data;
    int ok = map == 'x' ? nrxi_t_conv_output_buffer(g, &buffer) : nrxi_t_conv_input_buffer(g, &buffer);
    nrxi_t_conv_choose(&r, a->dtype, map == 'x' ? cig : cog, &buffer);
    if (map == 'w') {
        ok = ok && nrxi_mul_ok((cog + 3) / 4 * 4, ((g->out[1] - 1) * buffer.e[2] + g->out[2] + 15) / 16 * 16,
                               &extra);
        ok = ok && nrxi_mul_ok(extra, g->out[0], &extra);
    } else extra = ((map == 'x' ? cig : cog) + r.mr) * (taps + 1);
    if (ok) {
        r.buf = (unsigned char *)nrxi_t_work(s, buffer.size, r.z);
        r.off = (size_t *)nrxi_t_work(s, taps + 2, sizeof(size_t));
        r.sum = (double *)nrxi_t_work(s, map == 'w' ? cog * taps : 1, sizeof(double));
        pack = (unsigned char *)nrxi_t_work(s, extra, r.z);
    }
    ok = r.buf && r.off && r.sum && pack;
    if (!ok) nrxi_t_fail(s, NRX_E_NOMEM, "nrx_t_conv: out of memory for its work");
    else if (map == 'f')
        nrxi_t_conv_forward(g, &buffer, &r, pa, pb, bias ? (const unsigned char *)bias->data : NULL, py, pack,
                          &s->env);
    else if (map == 'x') nrxi_t_conv_adjoint(g, &buffer, &r, pa, pb, py, pack, &s->env);
    else nrxi_t_conv_weights(g, &buffer, &r, pa, pb, y, pack, &s->env);
    nrxi_t_work_drop(s, r.buf);
    nrxi_t_work_drop(s, r.off);
    nrxi_t_work_drop(s, pack);
    nrxi_t_work_drop(s, r.sum);
    return ok;
}

NRXI_FN nrx_tensor *nrxi_t_conv_map(char map, const nrxi_t_op *op, const nrxi_t_conv_geo *g, nrx_tensor *a,
                                    nrx_tensor *b, nrx_tensor *bias, nrx_shape shape)
{
    nrx_tensor *y, *pa, *pb, *pc = NULL, *in[3];
    nrx_scope *s = a ? a->scope : NULL;
    int ok;
    if (!a || !b) return NULL;
    y = nrxi_t_new(s, op, a->dtype, shape);
    if (!y) return NULL;
    nrx_t_begin(s);
    pa = nrxi_t_plain(a, op);
    pb = nrxi_t_plain(b, op);
    if (bias) pc = nrxi_t_plain(bias, op);
    ok = pa && pb && (pc || !bias);
    if (ok && (y->size == 0 || a->size == 0 || b->size == 0)) { /* empty sums */
        memset(y->data, 0, y->size * nrxi_dtype_size(y->dtype));
        if (bias && y->size)
            nrxi_t_axpy(y, 1,
                        nrx_t_reshape(nrx_t_detach(bias), nrxi_t_conv_shape(1, g->co, nrxi_t_one3, g->nd)));
    } else ok = ok && nrxi_t_conv_run(map, g, pa, pb, pc, y);
    nrx_t_end(s, NULL);
    if (!ok) { nrxi_t_disown(y); return NULL; }
    in[0] = a; in[1] = b; in[2] = bias;
    return nrxi_t_blob(nrxi_t_link(y, in, bias ? 3 : 2), g, sizeof *g);
}
NRXI_FN nrx_tensor *nrxi_t_conv_f(nrx_tensor *x, nrx_tensor *w, nrx_tensor *bias, const nrxi_t_conv_geo *g)
{
    return nrxi_t_conv_map('f', &nrxi_t_op_conv_f, g, x, w, bias,
                           nrxi_t_conv_shape(g->n, g->co, g->out, g->nd));
}
NRXI_FN nrx_tensor *nrxi_t_conv_x(nrx_tensor *y, nrx_tensor *w, const nrxi_t_conv_geo *g)
{
    return nrxi_t_conv_map('x', &nrxi_t_op_conv_x, g, y, w, NULL,
                           nrxi_t_conv_shape(g->n, g->ci, g->in, g->nd));
}
NRXI_FN nrx_tensor *nrxi_t_conv_w(nrx_tensor *x, nrx_tensor *y, const nrxi_t_conv_geo *g)
{
    return nrxi_t_conv_map('w', &nrxi_t_op_conv_w, g, x, y, NULL,
                           nrxi_t_conv_shape(g->co, g->ci / g->groups, g->k, g->nd));
}

/* The geometry of a public call, checked; transposed reads w as [co, ci / groups, ...] of the map whose
 * adjoint it is. */
NRXI_FN int nrxi_t_conv_geometry(const char *name, nrx_tensor *x, nrx_tensor *w, nrx_tensor *bias,
                               const nrx_conv *opt, int nd, int transposed, nrxi_t_conv_geo *g)
{
    nrx_conv zero = NRX_ZERO;
    nrx_scope *s = nrxi_t_enter2(name, x, w, NRXI_T_FLOAT | NRXI_T_SAME);
    nrxi_t_label_info a, b;
    size_t channels;
    int i, axis;
    if (!s || (bias && !nrxi_t_enter2(name, x, bias, NRXI_T_SAME))) return 0;
    if (!opt) opt = &zero;
    if (x->ndim != nd + 2 || w->ndim != nd + 2) {
        nrxi_t_fail(s, NRX_E_SHAPE, "%s: x %s and w %s, expected %d axes each", name, nrxi_t_label(&a, x),
                    nrxi_t_label(&b, w), nd + 2);
        return 0;
    }
    g->nd = nd;
    g->n = x->shape[0];
    g->groups = opt->groups ? opt->groups : 1;
    g->co = w->shape[0];
    g->ci = transposed ? w->shape[1] * g->groups : x->shape[1];
    channels = transposed ? x->shape[1] : g->co;
    if (g->co % g->groups || g->ci % g->groups || w->shape[1] != g->ci / g->groups || channels != g->co) {
        nrxi_t_fail(s, NRX_E_SHAPE, "%s: channels of x %s and w %s do not fit (%zu groups)", name,
                    nrxi_t_label(&a, x), nrxi_t_label(&b, w), g->groups);
        return 0;
    }
    if (bias && (bias->ndim != 1 || bias->shape[0] != (transposed ? g->ci : g->co))) {
        nrxi_t_fail(s, NRX_E_SHAPE, "%s: bias %s, expected %zu values", name, nrxi_t_label(&a, bias),
                    transposed ? g->ci : g->co);
        return 0;
    }
    for (i = 0; i < 3; i++) {
        size_t reach, limit = (size_t)1 << (sizeof(size_t) * 4), size;
        g->s[i] = g->d[i] = g->k[i] = g->in[i] = g->out[i] = 1;
        g->p[i] = 0;
        axis = i - (3 - nd);
        if (axis < 0) continue;
        g->k[i] = w->shape[axis + 2];
        if (opt->stride[axis]) g->s[i] = opt->stride[axis];
        if (opt->dilation[axis]) g->d[i] = opt->dilation[axis];
        size = x->shape[axis + 2];
        if (g->k[i] == 0 || g->k[i] >= limit || g->d[i] >= limit || g->s[i] >= limit ||
            opt->padding[axis] >= limit || size >= limit || opt->output_padding[axis] >= g->s[i] + g->d[i]) {
            nrxi_t_fail(s, NRX_E_RANGE,
                        "%s: kernel %zu, stride %zu, dilation %zu, padding %zu, size %zu on spatial axis %d",
                        name, g->k[i], g->s[i], g->d[i], opt->padding[axis], size, axis);
            return 0;
        }
        reach = g->d[i] * (g->k[i] - 1);
        g->p[i] = opt->same ? reach / 2 : opt->padding[axis];
        if (transposed) {
            g->out[i] = size;
            size = size ? (size - 1) * g->s[i] + reach + 1 + opt->output_padding[axis] : 0;
            if (size < 2 * g->p[i] + (x->shape[axis + 2] != 0)) size = (size_t)-1;
            else g->in[i] = size - 2 * g->p[i];
        } else {
            g->in[i] = size;
            if (size + 2 * g->p[i] < reach + 1) size = (size_t)-1;
            else g->out[i] = (size + 2 * g->p[i] - reach - 1) / g->s[i] + 1;
        }
        if (size == (size_t)-1) {
            nrxi_t_fail(s, NRX_E_SHAPE,
                        "%s: kernel %zu (dilation %zu, padding %zu) does not fit size %zu on spatial axis %d",
                        name, g->k[i], g->d[i], g->p[i], x->shape[axis + 2], axis);
            return 0;
        }
    }
    return 1;
}
NRXI_FN nrx_tensor *nrxi_t_conv_call(const char *name, nrx_tensor *x, nrx_tensor *w, nrx_tensor *bias,
                                     const nrx_conv *opt, int nd, int transposed)
{
    nrxi_t_conv_geo g;
    nrx_tensor *y;
    if (!nrxi_t_conv_geometry(name, x, w, bias, opt, nd, transposed, &g)) return NULL;
    if (!transposed) return nrxi_t_conv_f(x, w, bias, &g);
    nrx_t_begin(x->scope);
    y = nrxi_t_conv_x(x, w, &g);
    if (bias) y = nrx_t_add(y, nrx_t_reshape(bias, nrxi_t_conv_shape(1, g.ci, nrxi_t_one3, nd)));
    return nrx_t_end(x->scope, y);
}
#define NRXI_T_CONV_PUBLIC(name, nd, transposed)                                                \
    NRX_DEF nrx_tensor *nrx_t_##name(nrx_tensor *x, nrx_tensor *w, nrx_tensor *bias, const nrx_conv *opt) \
    {                                                                                         \
        return nrxi_t_conv_call("nrx_t_" #name, x, w, bias, opt, nd, transposed);             \
    }
NRXI_T_CONV_PUBLIC(conv1d, 1, 0)
NRXI_T_CONV_PUBLIC(conv2d, 2, 0)
NRXI_T_CONV_PUBLIC(conv3d, 3, 0)
NRXI_T_CONV_PUBLIC(conv_transpose1d, 1, 1)
NRXI_T_CONV_PUBLIC(conv_transpose2d, 2, 1)
NRXI_T_CONV_PUBLIC(conv_transpose3d, 3, 1)

NRXI_GLUE_END

/* -- images -- */

NRX_DEF nrx_tensor *nrx_t_avg_pool2d(nrx_tensor *x, size_t kernel, size_t stride, size_t padding)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_avg_pool2d", x, NRXI_T_FLOAT);
    nrx_conv opt = NRX_ZERO;
    nrx_tensor *y;
    nrxi_t_label_info a;
    size_t size;
    if (!s) return NULL;
    if (x->ndim != 4 || kernel == 0 || stride == 0 || padding >= kernel ||
        !nrxi_mul_ok(kernel, kernel, &size))
        return nrxi_t_fail(s, NRX_E_SHAPE, "nrx_t_avg_pool2d: %s with kernel %zu, stride %zu, padding %zu",
                           nrxi_t_label(&a, x), kernel, stride, padding);
    opt.stride[0] = opt.stride[1] = stride;
    opt.padding[0] = opt.padding[1] = padding;
    nrx_t_begin(s); /* every channel as an image of its own, convolved with a constant */
    y = nrx_t_reshape(x, nrx_s4(x->shape[0] * x->shape[1], 1, x->shape[2], x->shape[3]));
    y = nrx_t_conv2d(y, nrx_t_full(s, x->dtype, nrx_s4(1, 1, kernel, kernel), 1.0 / (double)size), NULL,
                     &opt);
    if (y) y = nrx_t_reshape(y, nrx_s4(x->shape[0], x->shape[1], y->shape[2], y->shape[3]));
    return nrx_t_end(s, y);
}

NRX_DEF nrx_tensor *nrx_t_max_pool2d(nrx_tensor *x, size_t kernel, size_t stride, size_t padding)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_max_pool2d", x, NRXI_T_FLOAT);
    nrx_tensor *y, *index, *values, *flat;
    nrxi_t_label_info a;
    size_t n, h, w, ho, wo, i, oy, ox, limit = (size_t)1 << (sizeof(size_t) * 4);
    if (!s) return NULL;
    if (x->ndim != 4 || kernel == 0 || stride == 0 || kernel >= limit || padding >= kernel ||
        x->shape[2] + 2 * padding < kernel || x->shape[3] + 2 * padding < kernel)
        return nrxi_t_fail(s, NRX_E_SHAPE, "nrx_t_max_pool2d: %s with kernel %zu, stride %zu, padding %zu",
                           nrxi_t_label(&a, x), kernel, stride, padding);
    n = x->shape[0] * x->shape[1];
    h = x->shape[2];
    w = x->shape[3];
    ho = (h + 2 * padding - kernel) / stride + 1;
    wo = (w + 2 * padding - kernel) / stride + 1;
    nrx_t_begin(s);
    index = nrx_t_empty(s, NRX_I64, nrx_s2(n, ho * wo));
    values = nrx_t_contiguous(nrx_t_detach(x));
    if (index && values && values->size)
        for (i = 0; i < n; i++)
            for (oy = 0; oy < ho; oy++)
                for (ox = 0; ox < wo; ox++) {
                    size_t y0 = oy * stride, x0 = ox * stride, best, py, px;
                    double top = 0;
                    best = (size_t)-1;
                    for (py = y0; py < y0 + kernel; py++)
                        for (px = x0; px < x0 + kernel; px++) {
                            size_t at = (py - padding) * w + px - padding;
                            double v;
                            if (py < padding || px < padding || py - padding >= h || px - padding >= w)
                                continue;
                            v = nrxi_t_load_value(values, (ptrdiff_t)(i * h * w + at));
                            if (best == (size_t)-1 || nrxi_t_before(top, v)) { best = at; top = v; }
                        }
                    ((int64_t *)index->data)[(i * ho + oy) * wo + ox] = (int64_t)best;
                }
    flat = nrx_t_reshape(x, nrx_s2(n, h * w));
    y = nrx_t_gather(flat, 1, index);
    return nrx_t_end(s, nrx_t_reshape(y, nrx_s4(x->shape[0], x->shape[1], ho, wo)));
}

/* Position in the source (of n) of sample i (of m), for linear interpolation. */
NRXI_FN double nrxi_t_resize_source(size_t i, size_t n, size_t m, int align)
{
    double at;
    if (align) return m > 1 ? (double)i * ((double)(n - 1) / (double)(m - 1)) : 0;
    at = ((double)i + 0.5) * ((double)n / (double)m) - 0.5;
    return at < 0 ? 0 : at > (double)(n - 1) ? (double)(n - 1) : at;
}
NRXI_FN nrx_tensor *nrxi_t_resize_axis(nrx_tensor *x, int axis, size_t m, int mode, int align)
{
    nrx_scope *s;
    nrx_tensor *a;
    size_t i, n;
    if (!x) return NULL;
    s = x->scope;
    n = x->shape[axis];
    if (n == m) return x;
    if (mode == NRX_NEAREST) {
        a = nrx_t_empty(s, NRX_I64, nrx_s1(m));
        if (a) for (i = 0; i < m; i++) {
            size_t k = (size_t)floor((double)i * ((double)n / (double)m));
            ((int64_t *)a->data)[i] = (int64_t)(k < n ? k : n - 1);
        }
        return nrx_t_index_select(x, axis, a);
    }
    a = nrx_t_zeros(s, x->dtype, nrx_s2(m, n)); /* two weights in each row */
    if (a) for (i = 0; i < m; i++) {
        double at = nrxi_t_resize_source(i, n, m, align), f = at - floor(at);
        size_t k = (size_t)floor(at);
        nrxi_t_store_value(a, (ptrdiff_t)(i * n + k), 1 - f);
        if (k + 1 < n) nrxi_t_store_value(a, (ptrdiff_t)(i * n + k + 1), f);
    }
    return axis == x->ndim - 1 ? nrx_t_matmul(x, nrx_t_transpose(a, 0, 1)) : nrx_t_matmul(a, x);
}
NRX_DEF nrx_tensor *nrx_t_resize2d(nrx_tensor *x, size_t h, size_t w, int mode, int align_corners)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_resize2d", x, NRXI_T_FLOAT);
    nrx_tensor *y;
    nrxi_t_label_info a;
    if (!s) return NULL;
    if (x->ndim != 4 || x->shape[2] == 0 || x->shape[3] == 0 || h == 0 || w == 0 ||
        (mode != NRX_NEAREST && mode != NRX_BILINEAR))
        return nrxi_t_fail(s, NRX_E_SHAPE, "nrx_t_resize2d: %s to %zux%zu, mode %d", nrxi_t_label(&a, x), h,
                           w, mode);
    nrx_t_begin(s);
    y = nrxi_t_resize_axis(nrxi_t_resize_axis(x, 3, w, mode, align_corners), 2, h, mode, align_corners);
    if (y == x) y = nrx_t_reshape(x, nrx_t_shape(x));
    return nrx_t_end(s, y);
}

/* Pixel coordinate of grid component c along an axis of n. */
NRXI_FN nrx_tensor *nrxi_t_grid_axis(nrx_tensor *grid, int c, size_t n, int border, int align)
{
    nrx_tensor *g = nrx_t_select(grid, -1, c);
    double half = 0.5 * (align ? (double)n - 1 : (double)n);
    g = nrx_t_affine(g, half, align ? half : half - 0.5);
    return border ? nrx_t_clamp(g, 0, (double)n - 1) : g;
}
NRX_DEF nrx_tensor *nrx_t_grid_sample(nrx_tensor *x, nrx_tensor *grid, int border, int align_corners)
{
    nrx_scope *s = nrxi_t_enter2("nrx_t_grid_sample", x, grid, NRXI_T_FLOAT | NRXI_T_SAME);
    nrx_tensor *at[2], *low[2], *frac[2], *flat, *y = NULL;
    nrx_shape shape;
    nrxi_t_label_info a, b;
    size_t size[2], k;
    if (!s) return NULL;
    if (x->ndim != 4 || grid->ndim != 4 || grid->shape[3] != 2 || grid->shape[0] != x->shape[0] ||
        x->shape[2] * x->shape[3] == 0)
        return nrxi_t_fail(s, NRX_E_SHAPE,
                           "nrx_t_grid_sample: %s at %s, expected [n, c, h, w] and [n, ho, wo, 2]",
                           nrxi_t_label(&a, x), nrxi_t_label(&b, grid));
    size[0] = x->shape[3];
    size[1] = x->shape[2];
    nrx_t_begin(s);
    for (k = 0; k < 2; k++) {
        at[k] = nrxi_t_grid_axis(grid, (int)k, size[k], border, align_corners);
        low[k] = nrx_t_floor(nrx_t_detach(at[k]));
        frac[k] = nrx_t_sub(at[k], low[k]);
    }
    flat = nrx_t_reshape(x, nrx_s3(x->shape[0], x->shape[1], size[0] * size[1]));
    shape = nrx_s3(x->shape[0], x->shape[1], grid->shape[1] * grid->shape[2]);
    for (k = 0; k < 4; k++) { /* the four neighbours */
        nrx_tensor *weight = NULL, *index = NULL, *v;
        int d;
        for (d = 1; d >= 0; d--) {
            int up = (int)(k >> d & 1u);
            nrx_tensor *p = nrx_t_shift(low[d], up), *w = up ? frac[d] : nrx_t_affine(frac[d], -1, 1);
            nrx_tensor *c = nrx_t_clamp(p, 0, (double)size[d] - 1);
            w = nrx_t_mul(w, nrx_t_eq(c, p)); /* outside: weight 0 */
            weight = weight ? nrx_t_mul(weight, w) : w;
            c = nrx_t_cast(c, NRX_I64);
            index = index ? nrx_t_add(nrx_t_mul(index, nrx_t_scalar(s, NRX_I64, (double)size[0])), c) : c;
        }
        index = nrx_t_reshape(index, nrx_s3(shape.n[0], 1, shape.n[2]));
        v = nrx_t_mul(nrx_t_gather(flat, 2, nrx_t_expand(index, shape)),
                      nrx_t_reshape(weight, nrx_s3(shape.n[0], 1, shape.n[2])));
        y = y ? nrx_t_add(y, v) : v;
    }
    return nrx_t_end(s, nrx_t_reshape(y, nrx_s4(x->shape[0], x->shape[1], grid->shape[1], grid->shape[2])));
}

NRXI_GLUE_BEGIN

/* -- Fourier transforms -- */

NRXI_FN nrx_tensor *nrxi_t_fft1(nrx_tensor *x, int axis, int inverse);
NRXI_FN void nrxi_t_b_fft(nrx_tensor *y, nrx_tensor *g,
                        nrx_tensor **gx) /* the real adjoint of F is the transform of the other sign */
{
    gx[0] = nrxi_t_fft1(g, (int)y->node->k[0], !y->node->k[1]);
}
static const nrxi_t_op nrxi_t_op_fft = { "nrx_t_fft", nrxi_t_b_fft, 0 };

#define NRXI_T_FFT_AXIS(T, S)                                                                                \
    {                                                                                                        \
        nrxi_fft_##S plan;                                                                                   \
        T *work, *out = (T *)y->data;                                                                        \
        const T *in = (const T *)p->data;                                                                    \
        memset(&plan, 0, sizeof plan);                                                                       \
        status = nrxi_fft_plan_##S(&plan, n, &s->env);                                                       \
        work = status == NRX_OK ? (T *)nrxi_t_work(s,                                                        \
                                                   inner == 1 ? nrxi_fft_work_##S(&plan)                     \
                                                              : nrxi_fft_columns_work_##S(&plan, inner),     \
                                                   sizeof(T))                                                \
                                : NULL;                                                                      \
        if (work)                                                                                            \
            for (i = 0; i < outer; i++) {                                                                    \
                if (inner == 1) nrxi_fft_run_##S(&plan, inverse, in + 2 * i * n, out + 2 * i * n, work);     \
                else                                                                                         \
                    nrxi_fft_columns_##S(&plan, inverse, inner, in + 2 * i * n * inner, inner,               \
                                         out + 2 * i * n * inner, inner, work);                              \
            }                                                                                                \
        else if (status == NRX_OK) status = NRX_E_NOMEM;                                                     \
        nrxi_t_work_drop(s, work);                                                                           \
        if (status != NRX_E_NOMEM || plan.n) nrxi_fft_drop_##S(&plan);                                       \
    }

/* Complex x [..., 2] along `axis` of the complex array, unnormalised. */
NRXI_FN nrx_tensor *nrxi_t_fft1(nrx_tensor *x, int axis, int inverse)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_fft", x, NRXI_T_FLOAT);
    nrx_tensor *y, *p;
    nrx_status status = NRX_OK;
    size_t i, n, inner = 1, outer;
    int d;
    if (!s) return NULL;
    y = nrxi_t_new(s, &nrxi_t_op_fft, x->dtype, nrx_t_shape(x));
    if (!y) return NULL;
    nrx_t_begin(s);
    p = nrxi_t_plain(nrx_t_detach(x), &nrxi_t_op_fft);
    n = x->shape[axis];
    for (d = axis + 1; d < x->ndim - 1; d++) inner *= x->shape[d];
    outer = x->size ? x->size / (2 * n * inner) : 0;
    if (!p) status = NRX_E_NOMEM;
    else if (x->size && x->dtype == NRX_F32) NRXI_T_FFT_AXIS(float, f32)
    else if (x->size) NRXI_T_FFT_AXIS(double, f64)
    nrx_t_end(s, NULL);
    if (status != NRX_OK) {
        nrxi_t_disown(y);
        return nrxi_t_fail(s, status, "nrx_t_fft: no plan for length %zu", n);
    }
    y->node->k[0] = axis;
    y->node->k[1] = inverse;
    return nrxi_t_link1(y, x);
}

NRXI_FN int nrxi_t_is_complex(const char *name, const nrx_tensor *x)
{
    nrxi_t_label_info a;
    if (!nrxi_t_enter1(name, x, NRXI_T_FLOAT)) return 0;
    if (x->ndim >= 1 && x->shape[x->ndim - 1] == 2) return 1;
    nrxi_t_fail(x->scope, NRX_E_SHAPE, "%s: %s has no last axis of two (re, im); see nrx_t_complex", name,
                nrxi_t_label(&a, x));
    return 0;
}
NRXI_FN nrx_tensor *nrxi_t_fftn(const char *name, nrx_tensor *x, unsigned axes, int inverse)
{
    nrx_tensor *y = x;
    double scale = 1;
    int d;
    if (!nrxi_t_is_complex(name, x)) return NULL;
    axes = nrxi_t_axes(name, x, axes, x->ndim - 1);
    if (axes & 0x100u) return NULL;
    nrx_t_begin(x->scope);
    for (d = 0; d < x->ndim - 1 && y; d++) {
        if (!(axes >> d & 1u)) continue;
        y = nrxi_t_fft1(y, d, inverse);
        scale /= x->shape[d] ? (double)x->shape[d] : 1;
    }
    if (inverse || y == x) y = nrx_t_scale(y, inverse ? scale : 1);
    return nrx_t_end(x->scope, y);
}
NRX_DEF nrx_tensor *nrx_t_fft(nrx_tensor *x, unsigned axes) { return nrxi_t_fftn("nrx_t_fft", x, axes, 0); }
NRX_DEF nrx_tensor *nrx_t_ifft(nrx_tensor *x, unsigned axes) { return nrxi_t_fftn("nrx_t_ifft", x, axes, 1); }

/* Bins of a half spectrum of n reals: 1 for the first and, when n is even, the last; `interior` for the
 * others. Shaped [n/2+1, 1]. */
NRXI_FN nrx_tensor *nrxi_t_bins(nrx_scope *s, int dtype, size_t n, double interior)
{
    nrx_tensor *w = nrx_t_full(s, dtype, nrx_s2(n / 2 + 1, 1), interior);
    if (!w) return NULL;
    nrxi_t_store_value(w, 0, 1);
    if (n % 2 == 0) nrxi_t_store_value(w, (ptrdiff_t)(n / 2), 1);
    return w;
}
NRXI_FN nrx_tensor *nrxi_t_rfft_last(nrx_tensor *x, size_t n, int inverse);
NRXI_FN void nrxi_t_b_rfft(nrx_tensor *y, nrx_tensor *g,
                         nrx_tensor **gx) /* inner bins stand for two: halve before, double after */
{
    int inverse = (int)y->node->k[0];
    size_t n = (size_t)y->node->k[1];
    nrx_tensor *w = nrxi_t_bins(y->scope, y->dtype, n, inverse ? 2 : 0.5);
    if (inverse) gx[0] = nrx_t_mul(nrxi_t_rfft_last(g, n, 0), w);
    else gx[0] = nrxi_t_rfft_last(nrx_t_mul(g, w), n, 1);
}
static const nrxi_t_op nrxi_t_op_rfft = { "nrx_t_rfft", nrxi_t_b_rfft, 0 };
#define NRXI_T_RFFT_ROWS(T, S)                                                                  \
    {                                                                                         \
        nrxi_fft_##S plan;                                                                    \
        T *work, *out = (T *)y->data;                                                         \
        const T *in = (const T *)p->data;                                                     \
        memset(&plan, 0, sizeof plan);                                                        \
        status = nrxi_fft_plan_##S(&plan, n, &s->env);                                        \
        work = status == NRX_OK ? (T *)nrxi_t_work(s, nrxi_fft_work_##S(&plan), sizeof(T)) : NULL; \
        if (work)                                                                             \
            for (i = 0; i < rows; i++) {                                                      \
                if (inverse) nrxi_irfft_run_##S(&plan, in + i * half, out + i * n, work);     \
                else nrxi_rfft_run_##S(&plan, in + i * n, out + i * half, work);              \
            }                                                                                 \
        else if (status == NRX_OK) status = NRX_E_NOMEM;                                      \
        nrxi_t_work_drop(s, work);                                                            \
        if (status != NRX_E_NOMEM || plan.n) nrxi_fft_drop_##S(&plan);                        \
    }
/* x [..., n] -> [..., n/2+1, 2], or back, unnormalised. */
NRXI_FN nrx_tensor *nrxi_t_rfft_last(nrx_tensor *x, size_t n, int inverse)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_rfft", x, NRXI_T_FLOAT);
    nrx_tensor *y, *p;
    nrx_status status = NRX_OK;
    nrx_shape shape;
    size_t i, rows, half = 2 * (n / 2 + 1);
    if (!s) return NULL;
    shape = nrx_t_shape(x);
    if (inverse) shape.n[--shape.ndim - 1] = n;
    else {
        if (shape.ndim == NRX_MAX_DIMS)
            return nrxi_t_fail(s, NRX_E_RANGE, "nrx_t_rfft: the result has more than 8 axes");
        shape.n[shape.ndim - 1] = n / 2 + 1;
        shape.n[shape.ndim++] = 2;
    }
    y = nrxi_t_new(s, &nrxi_t_op_rfft, x->dtype, shape);
    if (!y) return NULL;
    nrx_t_begin(s);
    p = nrxi_t_plain(nrx_t_detach(x), &nrxi_t_op_rfft);
    rows = x->size / (inverse ? half : n);
    if (!p) status = NRX_E_NOMEM;
    else if (rows && x->dtype == NRX_F32) NRXI_T_RFFT_ROWS(float, f32)
    else if (rows) NRXI_T_RFFT_ROWS(double, f64)
    nrx_t_end(s, NULL);
    if (status != NRX_OK) {
        nrxi_t_disown(y);
        return nrxi_t_fail(s, status, "nrx_t_rfft: no plan for length %zu", n);
    }
    y->node->k[0] = inverse;
    y->node->k[1] = (ptrdiff_t)n;
    return nrxi_t_link1(y, x);
}
NRX_DEF nrx_tensor *nrx_t_rfft(nrx_tensor *x, int axis)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_rfft", x, NRXI_T_FLOAT);
    nrx_tensor *y;
    nrxi_t_label_info a;
    if (!s) return NULL;
    axis = nrxi_t_axis("nrx_t_rfft", x, axis, x->ndim);
    if (axis < 0) return NULL;
    if (x->shape[axis] == 0)
        return nrxi_t_fail(s, NRX_E_SHAPE, "nrx_t_rfft: axis %d of %s is empty", axis, nrxi_t_label(&a, x));
    nrx_t_begin(s);
    y = nrxi_t_rfft_last(nrx_t_transpose(x, axis, -1), x->shape[axis], 0);
    return nrx_t_end(s, nrx_t_transpose(y, axis, -2));
}
NRX_DEF nrx_tensor *nrx_t_irfft(nrx_tensor *x, int axis, size_t n)
{
    nrx_tensor *y;
    nrxi_t_label_info a;
    if (!nrxi_t_is_complex("nrx_t_irfft", x)) return NULL;
    axis = nrxi_t_axis("nrx_t_irfft", x, axis, x->ndim - 1);
    if (axis < 0) return NULL;
    if (n == 0 || x->shape[axis] != n / 2 + 1)
        return nrxi_t_fail(x->scope, NRX_E_SHAPE, "nrx_t_irfft: axis %d of %s for %zu reals, expected %zu",
                           axis, nrxi_t_label(&a, x), n, n / 2 + 1);
    nrx_t_begin(x->scope);
    y = nrxi_t_rfft_last(nrx_t_transpose(x, axis, -2), n, 1);
    return nrx_t_end(x->scope, nrx_t_scale(nrx_t_transpose(y, axis, -1), 1.0 / (double)n));
}
NRX_DEF nrx_tensor *nrx_t_complex(nrx_tensor *re, nrx_tensor *im)
{
    nrx_tensor *both[2], *y;
    if (!nrxi_t_enter1("nrx_t_complex", re, NRXI_T_FLOAT)) return NULL;
    nrx_t_begin(re->scope);
    both[0] = re;
    both[1] = im ? im : nrx_t_zeros(re->scope, re->dtype, nrx_t_shape(re));
    y = nrx_t_stack(both, 2, -1);
    return nrx_t_end(re->scope, y);
}
NRX_DEF nrx_tensor *nrx_t_real(nrx_tensor *z)
{
    return nrxi_t_is_complex("nrx_t_real", z) ? nrx_t_select(z, -1, 0) : NULL;
}
NRX_DEF nrx_tensor *nrx_t_imag(nrx_tensor *z)
{
    return nrxi_t_is_complex("nrx_t_imag", z) ? nrx_t_select(z, -1, 1) : NULL;
}
NRX_DEF nrx_tensor *nrx_t_complex_mul(nrx_tensor *a, nrx_tensor *b)
{
    nrx_tensor *ar, *ai, *br, *bi, *y;
    if (!nrxi_t_is_complex("nrx_t_complex_mul", a) || !nrxi_t_is_complex("nrx_t_complex_mul", b)) return NULL;
    nrx_t_begin(a->scope);
    ar = nrx_t_real(a); ai = nrx_t_imag(a);
    br = nrx_t_real(b); bi = nrx_t_imag(b);
    y = nrx_t_complex(nrx_t_sub(nrx_t_mul(ar, br), nrx_t_mul(ai, bi)),
                      nrx_t_add(nrx_t_mul(ar, bi), nrx_t_mul(ai, br)));
    return nrx_t_end(a->scope, y);
}
NRX_DEF nrx_tensor *nrx_t_conj(nrx_tensor *z)
{
    nrx_tensor *y;
    if (!nrxi_t_is_complex("nrx_t_conj", z)) return NULL;
    nrx_t_begin(z->scope);
    y = nrx_t_complex(nrx_t_real(z), nrx_t_neg(nrx_t_imag(z)));
    return nrx_t_end(z->scope, y);
}

/* -- linear algebra: values in f64 copies, gradients by formulas in operators. Factorizations with several
   results make one packed row per matrix, of which the results are views: so every operation has one result.
   -- */

/* A matrix or a batch of them, square if asked. */
NRXI_FN nrx_scope *nrxi_t_matrix(const char *name, const nrx_tensor *a, int square)
{
    nrx_scope *s = nrxi_t_enter1(name, a, NRXI_T_FLOAT);
    nrxi_t_label_info la;
    if (!s) return NULL;
    if (a->ndim >= 2 && (!square || a->shape[a->ndim - 1] == a->shape[a->ndim - 2])) return s;
    nrxi_t_fail(s, NRX_E_SHAPE, "%s: %s is not a %smatrix", name, nrxi_t_label(&la, a),
                square ? "square " : "");
    return NULL;
}
NRXI_FN nrx_tensor *nrxi_t_wide(nrx_tensor *x)
{
    return nrx_t_cast(nrx_t_detach(x), NRX_F64);
} /* a contiguous f64 copy */
NRXI_FN size_t nrxi_t_batch(const nrx_tensor *a)
{
    size_t mn = a->shape[a->ndim - 1] * a->shape[a->ndim - 2];
    return mn ? a->size / mn : 0;
}

/* y = result of f64 work w, in the dtype of the operation; frees y and reports when status is bad. */
NRXI_FN nrx_tensor *nrxi_t_la_result(nrx_tensor *y, const nrx_tensor *w, nrx_status status, const char *why)
{
    nrx_scope *s;
    if (!y) return NULL;
    s = y->scope;
    if (status == NRX_OK && w) { nrxi_t_copy_into(y, w); return y; }
    if (status != NRX_OK)
        nrxi_t_fail(s, status, "%s: %s", y->node->op->name, status == NRX_E_NOMEM ? "out of memory" : why);
    nrxi_t_disown(y);
    return NULL;
}

/* Both operands with the same batch axes. */
NRXI_FN int nrxi_t_batch_pair(const char *name, nrx_tensor **a, nrx_tensor **b)
{
    nrx_tensor ba = **a, bb = **b;
    nrx_shape shape, sa, sb;
    ba.ndim -= 2;
    bb.ndim -= 2;
    if (!nrxi_t_broadcast(name, &ba, &bb, &shape)) return 0;
    sa = sb = shape;
    sa.n[sa.ndim++] = (*a)->shape[(*a)->ndim - 2];
    sa.n[sa.ndim++] = (*a)->shape[(*a)->ndim - 1];
    sb.n[sb.ndim++] = (*b)->shape[(*b)->ndim - 2];
    sb.n[sb.ndim++] = (*b)->shape[(*b)->ndim - 1];
    *a = nrx_t_expand(*a, sa);
    *b = nrx_t_expand(*b, sb);
    return *a && *b;
}

enum { NRXI_T_LA_LU, NRXI_T_LA_LOWER, NRXI_T_LA_LOWER_T, NRXI_T_LA_UPPER, NRXI_T_LA_UPPER_T };
NRXI_FN nrx_tensor *nrxi_t_solve(nrx_tensor *a, nrx_tensor *b, int kind);
NRXI_FN void nrxi_t_b_solve(nrx_tensor *y, nrx_tensor *g,
                          nrx_tensor **gx) /* b' = A^-T g, A' = -b' x^T, on the triangle that is read */
{
    static const int other[5] = {NRXI_T_LA_LU, NRXI_T_LA_LOWER_T, NRXI_T_LA_LOWER, NRXI_T_LA_UPPER_T,
                                 NRXI_T_LA_UPPER};
    int kind = (int)y->node->k[0];
    nrx_tensor *a = NRXI_T_IN(y, 0),
               *gb = nrxi_t_solve(kind == NRXI_T_LA_LU ? nrxi_t_mt(a) : a, g, other[kind]), *ga;
    gx[1] = gb;
    if (!NRXI_T_WANTS(y, 0)) return;
    ga = kind == NRXI_T_LA_LOWER_T || kind == NRXI_T_LA_UPPER_T ? nrxi_t_matmul2(y, nrxi_t_mt(gb))
                                                            : nrxi_t_matmul2(gb, nrxi_t_mt(y));
    ga = nrx_t_neg(ga);
    if (kind == NRXI_T_LA_LOWER || kind == NRXI_T_LA_LOWER_T) ga = nrx_t_tril(ga, 0);
    if (kind == NRXI_T_LA_UPPER || kind == NRXI_T_LA_UPPER_T) ga = nrx_t_triu(ga, 0);
    gx[0] = ga;
}
static const nrxi_t_op nrxi_t_op_solve = { "nrx_t_solve", nrxi_t_b_solve, 1 | NRXI_T_SAVE_OUT };

NRXI_FN nrx_tensor *nrxi_t_solve(nrx_tensor *a, nrx_tensor *b, int kind) /* equal batches */
{
    nrx_tensor *y, *wa, *wb;
    nrx_status status = NRX_OK;
    size_t i, n, k, batches;
    void *piv;
    if (!a || !b) return NULL;
    n = b->shape[b->ndim - 2];
    k = b->shape[b->ndim - 1];
    y = nrxi_t_new(b->scope, &nrxi_t_op_solve, b->dtype, nrx_t_shape(b));
    if (!y) return NULL;
    nrx_t_begin(b->scope);
    wa = nrxi_t_wide(a);
    wb = nrxi_t_wide(b);
    piv = nrxi_t_work(b->scope, n, sizeof(size_t));
    if (!wa || !wb || !piv) status = NRX_E_NOMEM;
    else
        for (i = 0, batches = nrxi_t_batch(b); i < batches && status == NRX_OK; i++) {
            double *pa = (double *)wa->data + i * n * n, *pb = (double *)wb->data + i * n * k;
            if (kind == NRXI_T_LA_LU) {
                status = nrxi_lu(n, pa, n, (size_t *)piv);
                if (status == NRX_OK) status = nrxi_lu_solve(n, pa, n, (const size_t *)piv, pb, k);
            } else
                status =
                    nrxi_trsolve(kind >= NRXI_T_LA_UPPER,
                                 kind == NRXI_T_LA_LOWER_T || kind == NRXI_T_LA_UPPER_T, 0, n, pa, n, pb, k);
        }
    nrxi_t_work_drop(b->scope, piv);
    y = nrxi_t_la_result(y, wb, status, "the matrix is singular or not finite");
    nrx_t_end(b->scope, NULL);
    if (!y) return NULL;
    y->node->k[0] = kind;
    return nrxi_t_link2(y, a, b);
}
NRXI_FN nrx_tensor *nrxi_t_solve_call(const char *name, nrx_tensor *a, nrx_tensor *b, int kind)
{
    nrx_scope *s = nrxi_t_matrix(name, a, 1);
    nrxi_t_label_info la, lb;
    if (!s || !nrxi_t_enter2(name, a, b, NRXI_T_SAME)) return NULL;
    if (b->ndim < 2 || b->shape[b->ndim - 2] != a->shape[a->ndim - 1])
        return nrxi_t_fail(s, NRX_E_SHAPE, "%s: matrix %s, right-hand sides %s, expected [.., n, k]", name,
                           nrxi_t_label(&la, a), nrxi_t_label(&lb, b));
    nrx_t_begin(s);
    if (!nrxi_t_batch_pair(name, &a, &b)) return nrx_t_end(s, NULL);
    return nrx_t_end(s, nrxi_t_solve(a, b, kind));
}
NRX_DEF nrx_tensor *nrx_t_solve(nrx_tensor *a, nrx_tensor *b)
{
    return nrxi_t_solve_call("nrx_t_solve", a, b, NRXI_T_LA_LU);
}
NRX_DEF nrx_tensor *nrx_t_triangular_solve(nrx_tensor *a, nrx_tensor *b, int upper, int transposed)
{
    return nrxi_t_solve_call("nrx_t_triangular_solve", a, b,
                             (upper ? NRXI_T_LA_UPPER : NRXI_T_LA_LOWER) + (transposed != 0));
}
NRX_DEF nrx_tensor *nrx_t_inverse(nrx_tensor *a)
{
    nrx_tensor *y;
    if (!nrxi_t_matrix("nrx_t_inverse", a, 1)) return NULL;
    nrx_t_begin(a->scope);
    y = nrx_t_solve(a, nrx_t_eye(a->scope, a->dtype, a->shape[a->ndim - 1]));
    return nrx_t_end(a->scope, y);
}

NRXI_FN void
nrxi_t_b_cholesky(nrx_tensor *y, nrx_tensor *g,
                nrx_tensor **gx) /* Murray, arXiv:1602.07527: L^-T Phi(L^T g) L^-1, symmetrised */
{
    nrx_tensor *p = nrxi_t_matmul2(nrxi_t_mt(y), g), *q;
    p = nrx_t_scale(nrx_t_add(nrx_t_tril(p, 0), nrx_t_tril(p, -1)), 0.5);
    q = nrxi_t_solve(y, p, NRXI_T_LA_LOWER_T);
    q = nrxi_t_mt(nrxi_t_solve(y, nrxi_t_mt(q), NRXI_T_LA_LOWER_T));
    gx[0] = nrx_t_scale(nrx_t_add(q, nrxi_t_mt(q)), 0.5);
}
static const nrxi_t_op nrxi_t_op_cholesky = { "nrx_t_cholesky", nrxi_t_b_cholesky, NRXI_T_SAVE_OUT };
NRXI_FN nrx_tensor *nrxi_t_symmetric(nrx_tensor *a) { return nrx_t_scale(nrx_t_add(a, nrxi_t_mt(a)), 0.5); }
NRX_DEF nrx_tensor *nrx_t_cholesky(nrx_tensor *a)
{
    nrx_scope *s = nrxi_t_matrix("nrx_t_cholesky", a, 1);
    nrx_tensor *y, *w, *sym;
    nrx_status status = NRX_OK;
    size_t i, j, k, n;
    if (!s) return NULL;
    n = a->shape[a->ndim - 1];
    nrx_t_begin(s);
    sym = nrxi_t_symmetric(a);
    y = sym ? nrxi_t_new(s, &nrxi_t_op_cholesky, a->dtype, nrx_t_shape(a)) : NULL;
    w = y ? nrxi_t_wide(sym) : NULL;
    if (!w) return nrx_t_end(s, NULL);
    for (i = 0; i < nrxi_t_batch(a) && status == NRX_OK; i++) {
        double *p = (double *)w->data + i * n * n;
        status = nrxi_cholesky(n, p, n);
        for (j = 0; j < n; j++) for (k = j + 1; k < n; k++) p[j * n + k] = 0;
    }
    y = nrxi_t_la_result(y, w, status, "the matrix is not positive definite, or not finite");
    return nrx_t_end(s, y ? nrxi_t_link1(y, sym) : NULL);
}

NRXI_FN void nrxi_t_b_det(nrx_tensor *y, nrx_tensor *g,
                        nrx_tensor **gx) /* det: g det A^-T; log |det|: g A^-T */
{
    nrx_tensor *a = NRXI_T_IN(y, 0), *f = y->node->k[0] ? g : nrx_t_mul(g, y);
    gx[0] = nrx_t_mul(nrx_t_unsqueeze(nrx_t_unsqueeze(f, -1), -1), nrxi_t_mt(nrx_t_inverse(a)));
}
static const nrxi_t_op nrxi_t_op_det = { "nrx_t_det", nrxi_t_b_det, 1 | NRXI_T_SAVE_OUT };
NRXI_FN nrx_tensor *nrxi_t_det(const char *name, nrx_tensor *a, int logarithm)
{
    nrx_scope *s = nrxi_t_matrix(name, a, 1);
    nrx_tensor *y, *w, *out;
    nrx_shape shape;
    size_t i, j, n, batches;
    void *piv;
    if (!s) return NULL;
    n = a->shape[a->ndim - 1];
    shape = nrx_t_shape(a);
    shape.ndim -= 2;
    y = nrxi_t_new(s, &nrxi_t_op_det, a->dtype, shape);
    if (!y) return NULL;
    nrx_t_begin(s);
    w = nrxi_t_wide(a);
    out = nrx_t_full(s, NRX_F64, shape, logarithm ? 0 : 1);
    piv = nrxi_t_work(s, n, sizeof(size_t));
    if (w && out && piv)
        for (i = 0, batches = nrxi_t_batch(a); i < batches; i++) {
            double *p = (double *)w->data + i * n * n, d = logarithm ? 0 : 1;
            int singular = nrxi_lu(n, p, n, (size_t *)piv) != NRX_OK;
            for (j = 0; j < n; j++) {
                double u = p[j * n + j];
                if (logarithm) d += log(fabs(u));
                else d *= ((const size_t *)piv)[j] != j ? -u : u;
            }
            if (singular && nrxi_all_finite(p, n * n, NRX_F64)) d = logarithm ? -HUGE_VAL : 0;
            ((double *)out->data)[i] = d;
        }
    y = nrxi_t_la_result(y, out, w && out && piv ? NRX_OK : NRX_E_NOMEM, "");
    nrxi_t_work_drop(s, piv);
    nrx_t_end(s, NULL);
    if (!y) return NULL;
    y->node->k[0] = logarithm;
    return nrxi_t_link1(y, a);
}
NRX_DEF nrx_tensor *nrx_t_det(nrx_tensor *a) { return nrxi_t_det("nrx_t_det", a, 0); }
NRX_DEF nrx_tensor *nrx_t_logdet(nrx_tensor *a) { return nrxi_t_det("nrx_t_logdet", a, 1); }

/* Piece [at, at + rows*cols) of the packed rows of x as [.., rows, cols]. */
NRXI_FN nrx_tensor *nrxi_t_piece(nrx_tensor *x, size_t at, size_t rows, size_t cols)
{
    nrx_tensor *y = nrx_t_slice(x, -1, (ptrdiff_t)at, (ptrdiff_t)(at + rows * cols), 1);
    nrx_shape shape;
    if (!y) return NULL;
    shape = nrx_t_shape(y);
    if (rows != 1) { shape.n[shape.ndim - 1] = rows; shape.n[shape.ndim++] = cols; }
    else shape.n[shape.ndim - 1] = cols;
    return rows == 1 ? y : nrx_t_reshape(y, shape);
}
NRXI_FN nrx_tensor *nrxi_t_piece2(nrx_tensor *x, size_t at, size_t rows,
                                  size_t cols) /* keeps both axes when rows is 1 */
{
    return rows == 1 ? nrx_t_unsqueeze(nrxi_t_piece(x, at, 1, cols), -2) : nrxi_t_piece(x, at, rows, cols);
}
NRXI_FN nrx_shape nrxi_t_packed_shape(const nrx_tensor *a, size_t row)
{
    nrx_shape shape = nrx_t_shape(a);
    shape.ndim--;
    shape.n[shape.ndim - 1] = row;
    return shape;
}
NRXI_FN nrx_tensor *nrxi_t_times_diag(nrx_tensor *m, nrx_tensor *d)
{
    return nrx_t_mul(m, nrx_t_unsqueeze(d, -2));
} /* m diag(d) */
NRXI_FN nrx_tensor *nrxi_t_diag_times(nrx_tensor *d, nrx_tensor *m)
{
    return nrx_t_mul(nrx_t_unsqueeze(d, -1), m);
} /* diag(d) m */

/* 1 / (v_j - v_i) off the diagonal, 0 on it and where the gap is below 1e-12 of the largest |v|. */
NRXI_FN nrx_tensor *nrxi_t_gaps(nrx_tensor *v)
{
    nrx_tensor *d = nrx_t_sub(nrx_t_unsqueeze(v, -2), nrx_t_unsqueeze(v, -1)), *big, *mask, *one;
    if (!d) return NULL;
    big = nrx_t_scale(nrx_t_max(nrx_t_abs(nrx_t_detach(v)), NRX_AXIS(-1), 1), 1e-12);
    mask = nrx_t_gt(nrx_t_abs(nrx_t_detach(d)), nrx_t_unsqueeze(big, -1));
    one = nrx_t_scalar(v->scope, v->dtype, 1);
    return nrx_t_mul(mask, nrx_t_reciprocal(nrx_t_where(mask, d, one)));
}

NRXI_FN void nrxi_t_b_qr(nrx_tensor *y, nrx_tensor *g,
                       nrx_tensor **gx) /* m >= n; Walter and Lehmann, "Algorithmic differentiation of linear
                                           algebra functions" */
{
    nrx_tensor *a = NRXI_T_IN(y, 0), *q, *r, *gq, *gr, *m;
    size_t rows = a->shape[a->ndim - 2], n = a->shape[a->ndim - 1];
    q = nrxi_t_piece2(y, 0, rows, n);
    r = nrxi_t_piece2(y, rows * n, n, n);
    gq = nrxi_t_piece2(g, 0, rows, n);
    gr = nrxi_t_piece2(g, rows * n, n, n);
    m = nrx_t_sub(nrxi_t_matmul2(r, nrxi_t_mt(gr)), nrxi_t_matmul2(nrxi_t_mt(gq), q));
    m = nrx_t_add(nrx_t_tril(m, 0), nrxi_t_mt(nrx_t_tril(m, -1)));
    m = nrx_t_add(gq, nrxi_t_matmul2(q, m));
    gx[0] = nrxi_t_mt(nrxi_t_solve(r, nrxi_t_mt(m), NRXI_T_LA_UPPER)); /* m R^-T */
}
static const nrxi_t_op nrxi_t_op_qr = { "nrx_t_qr", nrxi_t_b_qr, NRXI_T_SAVE_OUT };

NRXI_FN nrx_tensor *nrxi_t_qr_packed(nrx_tensor *a) /* rows of Q then R; m >= n */
{
    nrx_scope *s = a->scope;
    size_t m = a->shape[a->ndim - 2], n = a->shape[a->ndim - 1], i, j, k, row = m * n + n * n;
    nrx_tensor *y = nrxi_t_new(s, &nrxi_t_op_qr, a->dtype, nrxi_t_packed_shape(a, row)), *w, *out;
    nrx_status status = NRX_OK;
    double *work;
    if (!y) return NULL;
    nrx_t_begin(s);
    w = nrxi_t_wide(a);
    out = nrx_t_zeros(s, NRX_F64, nrx_t_shape(y));
    work = (double *)nrxi_t_work(s, nrxi_qr_work(m, n) + n, sizeof(double));
    if (!w || !out || !work) status = NRX_E_NOMEM;
    else
        for (i = 0; i < nrxi_t_batch(a) && status == NRX_OK; i++) {
            double *p = (double *)w->data + i * m * n, *q = (double *)out->data + i * row, *r = q + m * n;
            status = nrxi_qr(m, n, p, n, work, work + n);
            if (status == NRX_OK) status = nrxi_qr_q(m, n, p, n, work, n, q, n, work + n);
            for (j = 0; j < n && status == NRX_OK; j++) {
                double sign = p[j * n + j] < 0 ? -1 : 1;
                for (k = j; k < n; k++) r[j * n + k] = sign * p[j * n + k];
                for (k = 0; k < m; k++) q[k * n + j] *= sign;
            }
        }
    nrxi_t_work_drop(s, work);
    y = nrxi_t_la_result(y, out, status, "the matrix is not finite");
    nrx_t_end(s, NULL);
    return y ? nrxi_t_link1(y, a) : NULL;
}
NRX_DEF nrx_status nrx_t_qr(nrx_tensor *a, nrx_tensor **q, nrx_tensor **r)
{
    nrx_scope *s = nrxi_t_matrix("nrx_t_qr", a, 0);
    nrx_tensor *left = a, *packed, *both[2], *tq, *tr;
    size_t m, n;
    if (q) *q = NULL;
    if (r) *r = NULL;
    if (!s) return a ? a->scope->status : NRX_E_ARG;
    m = a->shape[a->ndim - 2];
    n = a->shape[a->ndim - 1];
    nrx_t_begin(s);
    if (m < n) left = nrx_t_slice(a, -1, 0, (ptrdiff_t)m, 1); /* [X Y] = Q [R, Q^T Y] */
    packed = left ? nrxi_t_qr_packed(left) : NULL;
    tq = nrxi_t_piece2(packed, 0, m, m < n ? m : n);
    tr = nrxi_t_piece2(packed, m * (m < n ? m : n), m < n ? m : n, m < n ? m : n);
    if (m < n) {
        both[0] = tr;
        both[1] =
            tq ? nrxi_t_matmul2(nrxi_t_mt(tq), nrx_t_slice(a, -1, (ptrdiff_t)m, (ptrdiff_t)n, 1)) : NULL;
        tr = nrx_t_concat(both, 2, -1);
    }
    if (q && tq && tr) *q = nrx_t_keep(tq);
    if (r && tq && tr) *r = nrx_t_keep(tr);
    nrx_t_end(s, NULL);
    return packed && tq && tr ? NRX_OK : s->status;
}
NRX_DEF nrx_tensor *nrx_t_lstsq(nrx_tensor *a, nrx_tensor *b)
{
    nrx_scope *s = nrxi_t_matrix("nrx_t_lstsq", a, 0);
    nrx_tensor *q, *r;
    nrxi_t_label_info la, lb;
    if (!s || !nrxi_t_enter2("nrx_t_lstsq", a, b, NRXI_T_SAME)) return NULL;
    if (b->ndim < 2 || b->shape[b->ndim - 2] != a->shape[a->ndim - 2] ||
        a->shape[a->ndim - 2] < a->shape[a->ndim - 1])
        return nrxi_t_fail(s, NRX_E_SHAPE,
                           "nrx_t_lstsq: %s by %s, expected [.., m, n] with m >= n and [.., m, k]",
                           nrxi_t_label(&la, a), nrxi_t_label(&lb, b));
    nrx_t_begin(s);
    if (nrx_t_qr(a, &q, &r) != NRX_OK) return nrx_t_end(s, NULL);
    return nrx_t_end(s, nrx_t_triangular_solve(r, nrx_t_matmul(nrxi_t_mt(q), b), 1, 0));
}

NRXI_FN void nrxi_t_b_eigh(nrx_tensor *y, nrx_tensor *g,
                         nrx_tensor **gx) /* V (diag(gw) + F o V^T gV) V^T; Giles 2008 */
{
    size_t n = NRXI_T_IN(y, 0)->shape[NRXI_T_IN(y, 0)->ndim - 1];
    nrx_tensor *w = nrxi_t_piece(y, 0, 1, n), *v = nrxi_t_piece2(y, n, n, n), *gw = nrxi_t_piece(g, 0, 1, n),
               *gv = nrxi_t_piece2(g, n, n, n), *m;
    m = nrx_t_add(nrx_t_mul(nrxi_t_gaps(w), nrxi_t_matmul2(nrxi_t_mt(v), gv)), nrx_t_diag(gw));
    gx[0] = nrxi_t_symmetric(nrxi_t_matmul2(nrxi_t_matmul2(v, m), nrxi_t_mt(v)));
}
static const nrxi_t_op nrxi_t_op_eigh = { "nrx_t_eigh", nrxi_t_b_eigh, NRXI_T_SAVE_OUT };
NRX_DEF nrx_status nrx_t_eigh(nrx_tensor *a, nrx_tensor **w, nrx_tensor **v)
{
    nrx_scope *s = nrxi_t_matrix("nrx_t_eigh", a, 1);
    nrx_tensor *y, *sym, *m, *out, *tw, *tv;
    nrx_status status = NRX_OK;
    size_t i, n;
    double *work;
    if (w) *w = NULL;
    if (v) *v = NULL;
    if (!s) return a ? a->scope->status : NRX_E_ARG;
    n = a->shape[a->ndim - 1];
    nrx_t_begin(s);
    sym = nrxi_t_symmetric(a);
    y = sym ? nrxi_t_new(s, &nrxi_t_op_eigh, a->dtype, nrxi_t_packed_shape(a, n + n * n)) : NULL;
    m = y ? nrxi_t_wide(sym) : NULL;
    out = y ? nrx_t_empty(s, NRX_F64, nrx_t_shape(y)) : NULL;
    work = (double *)nrxi_t_work(s, nrxi_eigh_work(n), sizeof(double));
    if (!m || !out || !work) status = NRX_E_NOMEM;
    else
        for (i = 0; i < nrxi_t_batch(a) && status == NRX_OK; i++) {
            double *p = (double *)m->data + i * n * n, *to = (double *)out->data + i * (n + n * n);
            status = nrxi_eigh(n, p, n, to, work);
            memcpy(to + n, p, n * n * sizeof *p);
        }
    nrxi_t_work_drop(s, work);
    y = nrxi_t_la_result(y, out, status, "the matrix is not finite, or the iteration did not converge");
    if (y) y = nrxi_t_link1(y, sym);
    tw = nrxi_t_piece(y, 0, 1, n);
    tv = nrxi_t_piece2(y, n, n, n);
    if (w && tw && tv) *w = nrx_t_keep(tw);
    if (v && tw && tv) *v = nrx_t_keep(tv);
    nrx_t_end(s, NULL);
    return tw && tv ? NRX_OK : s->status;
}

NRXI_FN void
nrxi_t_b_svd(nrx_tensor *y, nrx_tensor *g,
           nrx_tensor **gx) /* Townsend, "Differentiating the singular value decomposition", 2016 */
{
    nrx_tensor *a = NRXI_T_IN(y, 0), *u, *s, *vt, *gu, *gs, *gvt, *gv, *f, *pu, *pv, *core, *si, *one, *good;
    size_t m = a->shape[a->ndim - 2], n = a->shape[a->ndim - 1], k = m < n ? m : n;
    u = nrxi_t_piece2(y, 0, m, k);
    s = nrxi_t_piece(y, m * k, 1, k);
    vt = nrxi_t_piece2(y, m * k + k, k, n);
    gu = nrxi_t_piece2(g, 0, m, k);
    gs = nrxi_t_piece(g, m * k, 1, k);
    gvt = nrxi_t_piece2(g, m * k + k, k, n);
    gv = nrxi_t_mt(gvt);
    f = nrxi_t_gaps(nrx_t_square(s));
    one = nrx_t_scalar(y->scope, y->dtype, 1);
    good = nrx_t_gt(nrx_t_detach(s), nrx_t_scale(nrx_t_max(nrx_t_detach(s), NRX_AXIS(-1), 1), 1e-14));
    si = nrx_t_mul(good, nrx_t_reciprocal(nrx_t_where(good, s, one)));
    pu = nrxi_t_matmul2(nrxi_t_mt(u), gu);
    pv = nrxi_t_matmul2(vt, gv);
    core = nrx_t_add(nrxi_t_times_diag(nrx_t_mul(f, nrx_t_sub(pu, nrxi_t_mt(pu))), s),
                     nrxi_t_diag_times(s, nrx_t_mul(f, nrx_t_sub(pv, nrxi_t_mt(pv)))));
    core = nrxi_t_matmul2(nrxi_t_matmul2(u, nrx_t_add(core, nrx_t_diag(gs))), vt);
    if (m > k)
        core =
            nrx_t_add(core, nrxi_t_matmul2(nrxi_t_times_diag(nrx_t_sub(gu, nrxi_t_matmul2(u, pu)), si), vt));
    if (n > k)
        core = nrx_t_add(core,
                         nrxi_t_matmul2(u, nrxi_t_diag_times(si, nrx_t_sub(gvt, nrxi_t_matmul2(nrxi_t_mt(pv),
                                                                                               vt)))));
    gx[0] = core;
}
static const nrxi_t_op nrxi_t_op_svd = { "nrx_t_svd", nrxi_t_b_svd, NRXI_T_SAVE_OUT };
NRX_DEF nrx_status nrx_t_svd(nrx_tensor *a, nrx_tensor **u, nrx_tensor **sv, nrx_tensor **vt)
{
    nrx_scope *s = nrxi_t_matrix("nrx_t_svd", a, 0);
    nrx_tensor *y, *w, *out, *tu, *ts, *tv;
    nrx_status status = NRX_OK;
    size_t i, m, n, k, row;
    double *work;
    if (u) *u = NULL;
    if (sv) *sv = NULL;
    if (vt) *vt = NULL;
    if (!s) return a ? a->scope->status : NRX_E_ARG;
    m = a->shape[a->ndim - 2];
    n = a->shape[a->ndim - 1];
    k = m < n ? m : n;
    row = m * k + k + k * n;
    nrx_t_begin(s);
    y = nrxi_t_new(s, &nrxi_t_op_svd, a->dtype, nrxi_t_packed_shape(a, row));
    w = y ? nrxi_t_wide(a) : NULL;
    out = y ? nrx_t_empty(s, NRX_F64, nrx_t_shape(y)) : NULL;
    work = (double *)nrxi_t_work(s, nrxi_svd_work(m, n), sizeof(double));
    if (!w || !out || !work) status = NRX_E_NOMEM;
    else
        for (i = 0; i < nrxi_t_batch(a) && status == NRX_OK; i++) {
            double *to = (double *)out->data + i * row;
            status =
                nrxi_svd(m, n, (double *)w->data + i * m * n, n, to + m * k, to, k, to + m * k + k, n, work);
        }
    nrxi_t_work_drop(s, work);
    y = nrxi_t_la_result(y, out, status, "the matrix is not finite, or the iteration did not converge");
    if (y) y = nrxi_t_link1(y, a);
    tu = nrxi_t_piece2(y, 0, m, k);
    ts = nrxi_t_piece(y, m * k, 1, k);
    tv = nrxi_t_piece2(y, m * k + k, k, n);
    if (tu && ts && tv) {
        if (u) *u = nrx_t_keep(tu);
        if (sv) *sv = nrx_t_keep(ts);
        if (vt) *vt = nrx_t_keep(tv);
    }
    nrx_t_end(s, NULL);
    return tu && ts && tv ? NRX_OK : s->status;
}

/* -- gradients -- */

NRX_DEF nrx_tensor *nrx_t_require_grad(nrx_tensor *x, int on)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_require_grad", x, NRXI_T_FLOAT);
    nrxi_t_label_info a;
    if (!s) return NULL;
    if (x->node->recorded || x->node->spent)
        return nrxi_t_fail(s, NRX_E_STATE, "nrx_t_require_grad: %s is the result of a recorded operation",
                           nrxi_t_label(&a, x));
    x->requires_grad = on != 0;
    return x;
}

NRX_DEF int nrx_t_no_grad(nrx_scope *s, int on)
{
    int before;
    if (!s) return 0;
    before = s->no_grad;
    s->no_grad = on != 0;
    return before;
}

enum { NRXI_T_VISITS = 128 };
typedef struct nrxi_t_visits {
    struct nrxi_t_visits *next;
    size_t used;
    nrxi_t_visit v[NRXI_T_VISITS];
} nrxi_t_visits;

typedef struct nrxi_t_sweep {
    nrx_scope *s;
    const char *name;
    uint64_t id;
    nrxi_t_visits *blocks;
    nrxi_t_visit *order;            /* results before inputs */
    int leaves, free_graph;
} nrxi_t_sweep;

/* The visit of t in this sweep, made when there is none; NULL when out of memory. */
NRXI_FN nrxi_t_visit *nrxi_t_sweep_visit(nrxi_t_sweep *w, nrx_tensor *t)
{
    nrxi_t_visit *v = t->node->visit;
    if (v && v->sweep == w->id) return v;
    if (!w->blocks || w->blocks->used == NRXI_T_VISITS) {
        nrxi_t_visits *b = (nrxi_t_visits *)nrxi_t_work(w->s, 1, sizeof *b);
        if (!b) { nrxi_t_fail(w->s, NRX_E_NOMEM, "%s: out of memory", w->name); return NULL; }
        b->next = w->blocks;
        b->used = 0;
        w->blocks = b;
    }
    v = &w->blocks->v[w->blocks->used++];
    memset(v, 0, sizeof *v);
    v->below = t->node->visit;
    v->sweep = w->id;
    v->t = t;
    t->node->visit = v;
    t->node->refs++; /* the record must outlive the sweep */
    return v;
}

/* Depth-first from y; a tensor is put in front of the order when all it depends on is there. */
NRXI_FN int nrxi_t_sweep_search(nrxi_t_sweep *w, nrx_tensor *y)
{
    nrx_tensor *t = y, *x;
    nrxi_t_visit *v = nrxi_t_sweep_visit(w, y), *u;
    nrxi_t_label_info a;
    size_t i;
    if (!v) return 0;
    v->open = 1;
    while (t) {
        struct nrxi_t_node *d = t->node;
        v = d->visit;
        if (d->spent) {
            nrxi_t_fail(
                w->s, NRX_E_STATE,
                "%s: the graph behind %s was freed by an earlier nrx_t_backward (keep_graph keeps it)",
                w->name, nrxi_t_label(&a, t));
            return 0;
        }
        if (v->child < d->n_in) {
            x = d->in[v->child++].x;
            if (!x->requires_grad) continue;
            u = nrxi_t_sweep_visit(w, x);
            if (!u) return 0;
            if (u->open) continue;
            u->open = 1;
            u->parent = t;
            t = x;
            continue;
        }
        v->wanted = v->target |= w->leaves && !d->recorded;
        for (i = 0; i < d->n_in; i++)
            if (d->in[i].x->requires_grad) v->wanted |= d->in[i].x->node->visit->wanted;
        v->next = w->order;
        w->order = v;
        t = v->parent;
    }
    return 1;
}

/* g is added to the gradient that v has so far; takes over nothing. */
NRXI_FN void nrxi_t_sweep_add(nrxi_t_visit *v, nrx_tensor *g)
{
    nrx_tensor *sum, *old = v->g;
    if (!old) { nrxi_t_retain(g); v->g = g; return; }
    if (old->node->refs == 1 && old->node->level == 0 && old->node->store->refs == 1 && !old->requires_grad &&
        !g->requires_grad && nrxi_t_is_contiguous(old)) { /* ours alone */
        nrxi_t_axpy(old, 1, g);
        return;
    }
    sum = nrx_t_add(old, g);
    if (!sum) return;
    nrxi_t_retain(sum);
    nrxi_t_release(old);
    v->g = sum;
}

/* Sends v->g on to the inputs of v->t. */
NRXI_FN int nrxi_t_sweep_step(nrxi_t_sweep *w, nrxi_t_visit *v)
{
    nrx_tensor *t = v->t, *small[8], **gx = small;
    struct nrxi_t_node *d = t->node;
    size_t i, errors = w->s->errors;
    nrxi_t_label_info a, b;
    for (i = 0; i < d->n_in; i++)
        if (NRXI_T_SAVES(d->op, i) &&
            (!d->in[i].x->node->store || d->in[i].x->node->store->version != d->in[i].version)) {
            nrxi_t_fail(w->s, NRX_E_STATE,
                        "%s: %s, which %s needs for its gradient, was written in place after it was used",
                        w->name, nrxi_t_label(&a, d->in[i].x), d->op->name);
            return 0;
        }
    if (d->n_in > 8 && !(gx = (nrx_tensor **)nrxi_t_work(w->s, d->n_in, sizeof *gx))) {
        nrxi_t_fail(w->s, NRX_E_NOMEM, "%s: out of memory", w->name);
        return 0;
    }
    for (i = 0; i < d->n_in; i++) gx[i] = NULL;
    nrx_t_begin(w->s);
    d->op->back(t, v->g, gx);
    for (i = 0; i < d->n_in && errors == w->s->errors; i++) {
        nrx_tensor *x = d->in[i].x;
        if (!gx[i] || !x->requires_grad || !x->node->visit->wanted) continue;
        if (!nrxi_t_same_shape(gx[i], x) || gx[i]->dtype != x->dtype)
            nrxi_t_fail(w->s, NRX_E_SHAPE, "%s: %s gave the gradient %s for the input %s", w->name,
                        t->name ? t->name : d->op->name, nrxi_t_label(&a, gx[i]), nrxi_t_label(&b, x));
        else nrxi_t_sweep_add(x->node->visit, gx[i]);
    }
    nrx_t_end(w->s, NULL);
    if (gx != small) nrxi_t_work_drop(w->s, gx);
    return errors == w->s->errors;
}

/* Unwinds the visits; cut: frees the graph that was walked. */
NRXI_FN void nrxi_t_sweep_close(nrxi_t_sweep *w, int cut)
{
    nrx_tensor *dead = NULL;
    nrxi_t_visits *b, *next;
    size_t i;
    for (b = w->blocks; b; b = b->next)
        for (i = 0; i < b->used; i++) {
            nrxi_t_visit *v = &b->v[i];
            v->t->node->visit = v->below;
            if (v->g) { nrxi_t_release(v->g); v->g = NULL; }
        }
    for (b = w->blocks; b; b = b->next)
        for (i = 0; i < b->used; i++) {
            nrx_tensor *t = b->v[i].t;
            if (cut && t->node->recorded) { nrxi_t_cut(t, &dead); t->node->spent = 1; }
            nrxi_t_bury(t, &dead);
        }
    nrxi_t_funeral(w->s, dead);
    for (b = w->blocks; b; b = next) { next = b->next; nrxi_t_work_drop(w->s, b); }
    w->blocks = NULL;
}

/* Runs from y with cotangent gy (NULL = ones) to the targets marked by the caller (or all leaves). */
NRXI_FN int nrxi_t_sweep_run(nrxi_t_sweep *w, nrx_tensor *y, nrx_tensor *gy)
{
    nrxi_t_visit *v;
    int ok = nrxi_t_sweep_search(w, y);
    if (!ok) return 0;
    nrx_t_begin(w->s);
    if (!gy) gy = nrx_t_ones(w->s, y->dtype, nrx_t_shape(y));
    if (gy) { v = y->node->visit; nrxi_t_retain(gy); v->g = gy; }
    else ok = 0;
    nrx_t_end(w->s, NULL);
    for (v = w->order; v && ok; v = v->next) {
        if (!v->g || !v->wanted) continue;
        if (v->t->node->recorded) ok = nrxi_t_sweep_step(w, v);
        if (!v->target) { nrxi_t_release(v->g); v->g = NULL; }
    }
    return ok;
}

NRXI_FN void nrxi_t_sweep_open(nrxi_t_sweep *w, nrx_scope *s, const char *name)
{
    memset(w, 0, sizeof *w);
    w->s = s;
    w->name = name;
    w->id = ++s->sweeps;
}

NRXI_FN nrx_status nrxi_t_vjp(const char *name, nrx_tensor *y, nrx_tensor *gy, nrx_tensor *const *x, size_t n,
                              nrx_tensor **gx)
{
    nrx_scope *s = nrxi_t_enter1(name, y, NRXI_T_FLOAT | NRXI_T_NODATA);
    nrxi_t_sweep w;
    nrxi_t_visit *v;
    nrxi_t_label_info a, b;
    size_t i;
    int ok = 1;
    for (i = 0; gx && i < n; i++) gx[i] = NULL;
    if (!s) return y ? y->scope->status : NRX_E_ARG;
    if (!x || !gx) { nrxi_t_fail(s, NRX_E_ARG, "%s: x or gx is NULL", name); return NRX_E_ARG; }
    if (!nrxi_t_enter(name, x, n, NRXI_T_FLOAT | NRXI_T_NODATA) && n) return s->status;
    if (gy && (!nrxi_t_enter2(name, gy, y, NRXI_T_SAME | NRXI_T_NODATA) || !nrxi_t_same_shape(gy, y))) {
        nrxi_t_fail(s, NRX_E_SHAPE, "%s: cotangent %s of %s", name, nrxi_t_label(&a, gy),
                    nrxi_t_label(&b, y));
        return NRX_E_SHAPE;
    }
    nrxi_t_sweep_open(&w, s, name);
    for (i = 0; i < n && ok; i++) {
        v = nrxi_t_sweep_visit(&w, x[i]);
        ok = v != NULL;
        if (v) v->target = 1;
    }
    if (ok && (y->requires_grad || (y->node->visit && y->node->visit->sweep == w.id)))
        ok = nrxi_t_sweep_run(&w, y, gy);
    for (i = 0; i < n && ok; i++) {
        nrx_tensor *g;
        v = x[i]->node->visit;
        g = v->g;
        if (!g) g = nrx_t_zeros(s, x[i]->dtype, nrx_t_shape(x[i]));
        else if (g->node->level == 0) { v->g = NULL; nrxi_t_own(g);
        } /* takes the reference over */
        else
            g = nrx_t_reshape(g, nrx_t_shape(g)); /* somebody has it already: another tensor on it */
        gx[i] = g;
        ok = g != NULL;
    }
    nrxi_t_sweep_close(&w, 0);
    if (!ok) for (i = 0; i < n; i++) if (gx[i]) { nrx_t_free(gx[i]); gx[i] = NULL; }
    return ok ? NRX_OK : s->status;
}

NRX_DEF nrx_status nrx_t_grad(nrx_tensor *y, nrx_tensor *const *x, size_t n, nrx_tensor **gx)
{
    return nrxi_t_vjp("nrx_t_grad", y, NULL, x, n, gx);
}
NRX_DEF nrx_status nrx_t_vjp(nrx_tensor *y, nrx_tensor *gy, nrx_tensor *const *x, size_t n, nrx_tensor **gx)
{
    return nrxi_t_vjp("nrx_t_vjp", y, gy, x, n, gx);
}

NRX_DEF nrx_status nrx_t_backward(nrx_tensor *y, int keep_graph)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_backward", y, NRXI_T_FLOAT | NRXI_T_NODATA);
    nrxi_t_sweep w;
    nrxi_t_visit *v;
    nrxi_t_label_info a;
    int ok, before;
    if (!s) return y ? y->scope->status : NRX_E_ARG;
    if (!y->requires_grad) {
        nrxi_t_fail(s, NRX_E_STATE, "nrx_t_backward: %s depends on nothing that requires gradients",
                    nrxi_t_label(&a, y));
        return NRX_E_STATE;
    }
    before = nrx_t_no_grad(s, 1);
    nrxi_t_sweep_open(&w, s, "nrx_t_backward");
    w.leaves = 1;
    ok = nrxi_t_sweep_run(&w, y, NULL);
    for (v = w.order; v && ok; v = v->next) {
        nrx_tensor *x = v->t, *g = v->g;
        if (!v->target || !g) continue;
        if (x->grad) nrxi_t_axpy(x->grad, 1, g);
        else {
            if (g->node->refs > 1 || g->node->level || g->node->store->refs > 1 || !nrxi_t_is_contiguous(g)) {
                g = nrx_t_copy(g); /* shared: x->grad must be its own */
                if (!g) { ok = 0; break; }
                nrxi_t_retain(g);
                nrxi_t_disown(g);
            } else v->g = NULL;
            x->grad = g;
        }
    }
    nrxi_t_sweep_close(&w, ok && !keep_graph);
    nrx_t_no_grad(s, before);
    return ok ? NRX_OK : s->status;
}

NRX_DEF nrx_status nrx_t_zero_grad(nrx_tensor *const *x, size_t n)
{
    size_t i;
    if (n && !x) return NRX_E_ARG;
    for (i = 0; i < n; i++) {
        if (!nrxi_t_enter1("nrx_t_zero_grad", x[i], NRXI_T_FLOAT))
            return x[i] ? x[i]->scope->status : NRX_E_ARG;
        if (x[i]->grad) memset(x[i]->grad->data, 0, x[i]->grad->size * nrxi_dtype_size(x[i]->dtype));
    }
    return NRX_OK;
}

NRX_DEF nrx_status nrx_t_params(nrx_tensor *const *x, size_t n, nrx_param *params)
{
    size_t i;
    nrxi_t_label_info a;
    if (n && (!x || !params)) return NRX_E_ARG;
    for (i = 0; i < n; i++) {
        nrx_scope *s = nrxi_t_enter1("nrx_t_params", x[i], NRXI_T_FLOAT);
        if (!s) return x[i] ? x[i]->scope->status : NRX_E_ARG;
        if (x[i]->node->recorded || !nrxi_t_is_contiguous(x[i])) {
            nrxi_t_fail(s, NRX_E_STATE, "nrx_t_params: %s is not a contiguous leaf", nrxi_t_label(&a, x[i]));
            return NRX_E_STATE;
        }
        if (!x[i]->grad) {
            nrx_tensor *g = nrx_t_zeros(s, x[i]->dtype, nrx_t_shape(x[i]));
            if (!g) return s->status;
            nrxi_t_retain(g);
            nrxi_t_disown(g);
            x[i]->grad = g;
        }
        params[i].name = x[i]->name;
        params[i].value = x[i]->data;
        params[i].grad = x[i]->grad->data;
        params[i].rows = x[i]->ndim ? x[i]->shape[0] : 1;
        params[i].cols = params[i].rows ? x[i]->size / params[i].rows : 0;
        params[i].dtype = x[i]->dtype;
        params[i].constraint = NRX_FREE;
    }
    return NRX_OK;
}

/* sum_i sum(a[i] b[i]) */
NRXI_FN nrx_tensor *nrxi_t_inner(nrx_tensor *const *a, nrx_tensor *const *b, size_t n)
{
    nrx_tensor *sum = NULL;
    size_t i;
    for (i = 0; i < n; i++) {
        nrx_tensor *t = nrx_t_sum(nrx_t_mul(a[i], b[i]), NRX_ALL_AXES, 0);
        sum = i ? nrx_t_add(sum, t) : t;
    }
    return sum;
}
NRXI_FN int nrxi_t_like(const char *name, nrx_tensor *const *x, nrx_tensor *const *v, size_t n)
{
    nrxi_t_label_info a, b;
    size_t i;
    for (i = 0; i < n; i++) {
        if (!nrxi_t_enter2(name, x[i], v[i], NRXI_T_SAME | NRXI_T_NODATA)) return 0;
        if (!nrxi_t_same_shape(x[i], v[i])) {
            nrxi_t_fail(x[i]->scope, NRX_E_SHAPE, "%s: direction %s for %s", name, nrxi_t_label(&a, v[i]),
                        nrxi_t_label(&b, x[i]));
            return 0;
        }
    }
    return 1;
}

/* J v by differentiating u -> J^T u, which is linear, along v. */
NRX_DEF nrx_tensor *nrx_t_jvp(nrx_tensor *y, nrx_tensor *const *x, nrx_tensor *const *v, size_t n)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_jvp", y, NRXI_T_FLOAT);
    nrx_tensor *u, **g, *out = NULL, *t;
    int before;
    if (!s) return NULL;
    if (!x || !v || n == 0) return nrxi_t_fail(s, NRX_E_ARG, "nrx_t_jvp: x or v is NULL");
    if (!nrxi_t_like("nrx_t_jvp", x, v, n)) return NULL;
    g = (nrx_tensor **)nrxi_t_work(s, n, sizeof *g);
    if (!g) return nrxi_t_fail(s, NRX_E_NOMEM, "nrx_t_jvp: out of memory");
    nrx_t_begin(s);
    before = nrx_t_no_grad(s, 0);
    u = nrx_t_require_grad(nrx_t_zeros(s, y->dtype, nrx_t_shape(y)), 1);
    t = u && nrxi_t_vjp("nrx_t_jvp", y, u, x, n, g) == NRX_OK ? nrxi_t_inner(g, v, n) : NULL;
    nrx_t_no_grad(s, before);
    if (t && nrxi_t_vjp("nrx_t_jvp", t, NULL, &u, 1, &out) != NRX_OK) out = NULL;
    nrxi_t_work_drop(s, g);
    return nrx_t_end(s, out);
}

NRX_DEF nrx_tensor *nrx_t_jvp_batch(nrx_tensor *y, nrx_tensor *x, nrx_tensor *v)
{
    nrx_scope *s = nrxi_t_enter2("nrx_t_jvp_batch", y, x, NRXI_T_FLOAT | NRXI_T_NODATA);
    nrx_tensor *u, *g, **rows, *out = NULL;
    nrxi_t_label_info a;
    size_t k, i;
    int before, ok = 1;
    if (!s || !nrxi_t_enter2("nrx_t_jvp_batch", x, v, NRXI_T_SAME | NRXI_T_NODATA)) return NULL;
    if (v->ndim != x->ndim + 1 || v->shape[0] == 0)
        return nrxi_t_fail(s, NRX_E_SHAPE, "nrx_t_jvp_batch: directions %s, expected [k, shape of x]",
                           nrxi_t_label(&a, v));
    k = v->shape[0];
    rows = (nrx_tensor **)nrxi_t_work(s, k, sizeof *rows);
    if (!rows) return nrxi_t_fail(s, NRX_E_NOMEM, "nrx_t_jvp_batch: out of memory");
    nrx_t_begin(s);
    before = nrx_t_no_grad(s, 0); /* the transposed map is recorded once for all directions */
    u = nrx_t_require_grad(nrx_t_zeros(s, y->dtype, nrx_t_shape(y)), 1);
    ok = u && nrxi_t_vjp("nrx_t_jvp_batch", y, u, &x, 1, &g) == NRX_OK;
    nrx_t_no_grad(s, before);
    for (i = 0; i < k && ok; i++) {
        nrx_tensor *vi = nrx_t_select(v, 0, (ptrdiff_t)i);
        ok = vi && nrxi_t_like("nrx_t_jvp_batch", &x, &vi, 1) &&
             nrxi_t_vjp("nrx_t_jvp_batch", g, vi, &u, 1, &rows[i]) == NRX_OK;
    }
    if (ok) out = nrx_t_stack(rows, k, 0);
    nrxi_t_work_drop(s, rows);
    return nrx_t_end(s, out);
}

NRX_DEF nrx_status nrx_t_hvp(nrx_tensor *y, nrx_tensor *const *x, nrx_tensor *const *v, size_t n,
                             nrx_tensor **hv)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_hvp", y, NRXI_T_FLOAT | NRXI_T_NODATA);
    nrx_status status;
    nrx_tensor **g, *t = NULL;
    size_t i;
    int before;
    for (i = 0; hv && i < n; i++) hv[i] = NULL;
    if (!s) return y ? y->scope->status : NRX_E_ARG;
    if (!x || !v || !hv || n == 0) {
        nrxi_t_fail(s, NRX_E_ARG, "nrx_t_hvp: x, v or hv is NULL");
        return NRX_E_ARG;
    }
    if (!nrxi_t_like("nrx_t_hvp", x, v, n)) return s->status;
    g = (nrx_tensor **)nrxi_t_work(s, n, sizeof *g);
    if (!g) { nrxi_t_fail(s, NRX_E_NOMEM, "nrx_t_hvp: out of memory"); return NRX_E_NOMEM; }
    nrx_t_begin(s);
    before = nrx_t_no_grad(s, 0);
    status = nrxi_t_vjp("nrx_t_hvp", y, NULL, x, n, g);
    if (status == NRX_OK) t = nrxi_t_inner(g, v, n);
    nrx_t_no_grad(s, before);
    if (status == NRX_OK) status = t ? nrxi_t_vjp("nrx_t_hvp", t, NULL, x, n, hv) : s->status;
    for (i = 0; i < n; i++) nrx_t_keep(hv[i]);
    nrxi_t_work_drop(s, g);
    nrx_t_end(s, NULL);
    return status;
}

/* Rows d y_j / d x, j over the elements of y: [size of y, size of x]. */
NRXI_FN nrx_tensor *nrxi_t_jacobian_rows(const char *name, nrx_tensor *y, nrx_tensor *x)
{
    nrx_scope *s = y->scope;
    nrx_tensor **rows = (nrx_tensor **)nrxi_t_work(s, y->size + 1, sizeof *rows), *out = NULL;
    size_t i;
    int ok = rows != NULL;
    if (!rows) return nrxi_t_fail(s, NRX_E_NOMEM, "%s: out of memory", name);
    nrx_t_begin(s);
    for (i = 0; i < y->size && ok; i++) {
        nrx_tensor *e = nrx_t_zeros(s, y->dtype, nrx_t_shape(y));
        if (e) nrxi_t_store_value(e, (ptrdiff_t)i, 1);
        ok = e && nrxi_t_vjp(name, y, e, &x, 1, &rows[i]) == NRX_OK;
        if (ok) rows[i] = nrx_t_reshape(rows[i], nrx_s1(x->size));
    }
    if (ok) out = y->size ? nrx_t_stack(rows, y->size, 0) : nrx_t_zeros(s, y->dtype, nrx_s2(0, x->size));
    nrxi_t_work_drop(s, rows);
    return nrx_t_end(s, out);
}
NRX_DEF nrx_tensor *nrx_t_jacobian(nrx_tensor *y, nrx_tensor *x)
{
    nrx_scope *s = nrxi_t_enter2("nrx_t_jacobian", y, x, NRXI_T_FLOAT | NRXI_T_NODATA);
    nrx_shape shape;
    int i;
    if (!s) return NULL;
    if (y->ndim + x->ndim > NRX_MAX_DIMS)
        return nrxi_t_fail(s, NRX_E_RANGE, "nrx_t_jacobian: %d and %d axes are more than 8", y->ndim,
                           x->ndim);
    shape = nrx_t_shape(y);
    for (i = 0; i < x->ndim; i++) shape.n[shape.ndim++] = x->shape[i];
    nrx_t_begin(s);
    return nrx_t_end(s, nrx_t_reshape(nrxi_t_jacobian_rows("nrx_t_jacobian", y, x), shape));
}
NRX_DEF nrx_tensor *nrx_t_hessian(nrx_tensor *y, nrx_tensor *x)
{
    nrx_scope *s = nrxi_t_enter2("nrx_t_hessian", y, x, NRXI_T_FLOAT | NRXI_T_NODATA);
    nrx_tensor *g = NULL;
    nrx_status status;
    int before;
    if (!s) return NULL;
    nrx_t_begin(s);
    before = nrx_t_no_grad(s, 0);
    status = nrxi_t_vjp("nrx_t_hessian", y, NULL, &x, 1, &g);
    nrx_t_no_grad(s, before);
    return nrx_t_end(s, status == NRX_OK ? nrxi_t_jacobian_rows("nrx_t_hessian", g, x) : NULL);
}

/* -- operations from outside -- */

/* fn(x) without recording, as a tensor of `op` on the result's storage. */
NRXI_FN nrx_tensor *nrxi_t_call(const nrxi_t_op *op, nrx_t_fn fn, void *user, nrx_tensor *const *x, size_t n)
{
    nrx_scope *s = x[0]->scope;
    nrx_tensor *y, *out;
    int before, level = s->level;
    nrx_t_begin(s);
    before = nrx_t_no_grad(s, 1);
    y = fn(user, x, n);
    nrx_t_no_grad(s, before);
    out = nrxi_t_enter1(op->name, y, 0) && y->scope == s ? nrxi_t_alias(y, op) : NULL;
    if (!out && s->status == NRX_OK) nrxi_t_fail(s, NRX_E_ARG, "%s: the function gave no tensor", op->name);
    while (s->level > level + 1) nrx_t_end(s, NULL); /* levels the function left open */
    if (out) { out->node->level = s->level; nrx_t_keep(out); }
    nrx_t_end(s, NULL);
    return out;
}

NRXI_FN nrx_tensor **nrxi_t_inputs(nrx_tensor *y) /* the inputs as an array, to be dropped as work */
{
    nrx_tensor **x = (nrx_tensor **)nrxi_t_work(y->scope, y->node->n_in, sizeof *x);
    size_t i;
    if (!x) { nrxi_t_fail(y->scope, NRX_E_NOMEM, "%s: out of memory", y->node->op->name); return NULL; }
    for (i = 0; i < y->node->n_in; i++) x[i] = NRXI_T_IN(y, i);
    return x;
}

NRXI_FN void nrxi_t_b_custom(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    const nrx_t_custom_op *op = (const nrx_t_custom_op *)y->node->blob;
    nrx_tensor **x = nrxi_t_inputs(y);
    nrx_status status;
    if (!x) return;
    status = op->backward ? op->backward(op->user, x, y->node->n_in, y, g, gx) : NRX_E_UNSUPPORTED;
    if (status != NRX_OK)
        nrxi_t_fail(y->scope, status, "nrx_t_custom: the backward of \"%s\" failed: %s",
                    op->name ? op->name : "", nrx_status_string(status));
    nrxi_t_work_drop(y->scope, x);
}
static const nrxi_t_op nrxi_t_op_custom = {"nrx_t_custom", nrxi_t_b_custom,
                                           NRXI_T_SAVE_ALL | NRXI_T_SAVE_OUT};
NRX_DEF nrx_tensor *nrx_t_custom(const nrx_t_custom_op *op, nrx_tensor *const *x, size_t n)
{
    nrx_scope *s = x && n ? nrxi_t_enter("nrx_t_custom", x, n, 0) : NULL;
    nrx_tensor *y;
    if (!s) return NULL;
    if (!op || !op->forward) return nrxi_t_fail(s, NRX_E_ARG, "nrx_t_custom: no forward function");
    y = nrxi_t_call(&nrxi_t_op_custom, op->forward, op->user, x, n);
    if (!y) return NULL;
    y->name = op->name;
    return nrxi_t_blob(nrxi_t_link(y, x, n), op, sizeof *op);
}

typedef struct nrxi_t_checkpoint { nrx_t_fn fn; void *user; } nrxi_t_checkpoint;
NRXI_FN void nrxi_t_b_checkpoint(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    const nrxi_t_checkpoint *c = (const nrxi_t_checkpoint *)y->node->blob;
    nrx_scope *s = y->scope;
    size_t i, n = y->node->n_in;
    nrx_tensor **x = nrxi_t_inputs(y), *again;
    int recording = !s->no_grad;
    if (!x) return;
    if (!recording) /* first order: on constants, so that nothing outside is touched */
        for (i = 0; i < n; i++) {
            nrx_tensor *d = nrx_t_detach(x[i]);
            x[i] = d && NRXI_T_IN(y, i)->requires_grad ? nrx_t_require_grad(d, 1) : d;
        }
    nrx_t_no_grad(s, 0);
    again = c->fn(c->user, x, n);
    nrx_t_no_grad(s, !recording);
    if (again && nrxi_t_same_shape(again, y)) (void)nrxi_t_vjp("nrx_t_checkpoint", again, g, x, n, gx);
    else nrxi_t_fail(s, NRX_E_STATE, "nrx_t_checkpoint: the function gave another shape the second time");
    nrxi_t_work_drop(s, x);
}
static const nrxi_t_op nrxi_t_op_checkpoint = { "nrx_t_checkpoint", nrxi_t_b_checkpoint, NRXI_T_SAVE_ALL };
NRX_DEF nrx_tensor *nrx_t_checkpoint(nrx_t_fn fn, void *user, nrx_tensor *const *x, size_t n)
{
    nrx_scope *s = x && n ? nrxi_t_enter("nrx_t_checkpoint", x, n, NRXI_T_FLOAT) : NULL;
    nrxi_t_checkpoint c;
    nrx_tensor *y;
    if (!s) return NULL;
    if (!fn) return nrxi_t_fail(s, NRX_E_ARG, "nrx_t_checkpoint: no function");
    y = nrxi_t_call(&nrxi_t_op_checkpoint, fn, user, x, n);
    if (!y) return NULL;
    c.fn = fn;
    c.user = user;
    return nrxi_t_blob(nrxi_t_link(y, x, n), &c, sizeof c);
}

NRXI_FN nrx_tensor *nrxi_t_linop(const nrx_linop *A, nrx_tensor *x, int adjoint);
NRXI_FN void nrxi_t_b_linop(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    gx[0] = nrxi_t_linop((const nrx_linop *)y->node->blob, g, !y->node->k[0]);
}
static const nrxi_t_op nrxi_t_op_linop = { "nrx_t_linop", nrxi_t_b_linop, 0 };
NRXI_FN nrx_tensor *nrxi_t_linop(const nrx_linop *A, nrx_tensor *x, int adjoint)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_linop", x, NRXI_T_FLOAT);
    nrx_status (*map)(void *user, const void *x, void *y);
    nrx_status status = NRX_OK;
    nrx_tensor *y, *p;
    nrx_shape shape;
    nrxi_t_label_info a;
    size_t i, rows, n, m, size;
    if (!s) return NULL;
    n = adjoint ? A->rows : A->cols;
    m = adjoint ? A->cols : A->rows;
    map = adjoint ? A->adjoint : A->apply;
    if (!map)
        return nrxi_t_fail(s, NRX_E_UNSUPPORTED, "nrx_t_linop: the operator has no %s",
                           adjoint ? "adjoint" : "apply");
    if (x->ndim < 1 || x->shape[x->ndim - 1] != n || x->dtype != A->dtype)
        return nrxi_t_fail(s, NRX_E_SHAPE, "nrx_t_linop: %s, the operator takes %s of %zu",
                           nrxi_t_label(&a, x), A->dtype == NRX_F32 ? "f32" : "f64", n);
    shape = nrx_t_shape(x);
    shape.n[shape.ndim - 1] = m;
    y = nrxi_t_new(s, &nrxi_t_op_linop, x->dtype, shape);
    if (!y) return NULL;
    nrx_t_begin(s);
    p = nrxi_t_plain(nrx_t_detach(x), &nrxi_t_op_linop);
    rows = n ? x->size / n : 0;
    size = nrxi_dtype_size(x->dtype);
    for (i = 0; p && i < rows && status == NRX_OK; i++)
        status = map(A->user, (const unsigned char *)p->data + i * n * size,
                     (unsigned char *)y->data + i * m * size);
    nrx_t_end(s, NULL);
    if (!p || status != NRX_OK) {
        nrxi_t_disown(y);
        return p ? nrxi_t_fail(s, status, "nrx_t_linop: the operator failed: %s", nrx_status_string(status))
                 : NULL;
    }
    y->node->k[0] = adjoint;
    return nrxi_t_blob(nrxi_t_link1(y, x), A, sizeof *A);
}
NRX_DEF nrx_tensor *nrx_t_linop(const nrx_linop *A, nrx_tensor *x)
{
    if (!A) return x ? nrxi_t_fail(x->scope, NRX_E_ARG, "nrx_t_linop: the operator is NULL") : NULL;
    return nrxi_t_linop(A, x, 0);
}

NRXI_FN void nrxi_t_b_no_second(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    (void)g;
    (void)gx;
    nrxi_t_fail(y->scope, NRX_E_UNSUPPORTED,
                "nrx_t_functional: second derivatives of an nrx_functional are not known");
}
static const nrxi_t_op nrxi_t_op_functional_grad = { "nrx_t_functional (gradient)", nrxi_t_b_no_second, 0 };
NRXI_FN void nrxi_t_b_functional(nrx_tensor *y, nrx_tensor *g, nrx_tensor **gx)
{
    const nrx_functional *f = (const nrx_functional *)y->node->blob;
    nrx_tensor *x = NRXI_T_IN(y, 0), *p = nrxi_t_plain(nrx_t_detach(x), &nrxi_t_op_functional_grad), *d;
    nrx_status status;
    if (!p) return;
    d = nrxi_t_new(y->scope, &nrxi_t_op_functional_grad, x->dtype, nrx_t_shape(x));
    if (!d) return;
    status = f->eval(f->user, p->data, NULL, d->data);
    if (status != NRX_OK) {
        nrxi_t_fail(y->scope, status, "nrx_t_functional: the gradient failed: %s", nrx_status_string(status));
        return;
    }
    gx[0] = nrx_t_mul(g, nrxi_t_link1(d, x));
}
static const nrxi_t_op nrxi_t_op_functional = { "nrx_t_functional", nrxi_t_b_functional, 1 };
NRX_DEF nrx_tensor *nrx_t_functional(const nrx_functional *f, nrx_tensor *x)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_functional", x, NRXI_T_FLOAT);
    nrx_status status;
    nrx_tensor *y, *p;
    nrxi_t_label_info a;
    double value = 0;
    if (!s) return NULL;
    if (!f || !f->eval) return nrxi_t_fail(s, NRX_E_ARG, "nrx_t_functional: no functional");
    if (x->size != f->n || x->dtype != f->dtype)
        return nrxi_t_fail(s, NRX_E_SHAPE, "nrx_t_functional: %s, the functional takes %s of %zu",
                           nrxi_t_label(&a, x), f->dtype == NRX_F32 ? "f32" : "f64", f->n);
    nrx_t_begin(s);
    p = nrxi_t_plain(nrx_t_detach(x), &nrxi_t_op_functional);
    status = p ? f->eval(f->user, p->data, &value, NULL) : NRX_E_NOMEM;
    nrx_t_end(s, NULL);
    if (status != NRX_OK)
        return nrxi_t_fail(s, status, "nrx_t_functional: the functional failed: %s",
                           nrx_status_string(status));
    y = nrxi_t_new(s, &nrxi_t_op_functional, x->dtype, nrx_s0());
    if (!y) return NULL;
    nrxi_t_store_value(y, 0, value);
    return nrxi_t_blob(nrxi_t_link1(y, x), f, sizeof *f);
}

/* -- gradient checker -- */

typedef struct nrxi_t_check {
    nrx_t_fn fn;
    void *user;
    nrx_tensor *const *x;
    size_t n;
    nrx_tensor *r;                /* weights of the projection */
} nrxi_t_check;

/* sum(r fn(x)) */
NRXI_FN nrx_tensor *nrxi_t_check_value(nrxi_t_check *c)
{
    nrx_tensor *y = c->fn(c->user, c->x, c->n);
    if (!y) return NULL;
    if (!c->r) {
        nrx_rng rng;
        nrx_rng_seed(&rng, 20260401, 0);
        c->r = nrx_t_uniform(y->scope, y->dtype, nrx_t_shape(y), 0.5, 1.5, &rng);
    }
    return nrxi_t_inner(&y, &c->r, 1);
}
/* Element k of x[i] moved by h; a moved value is returned exactly. */
NRXI_FN ptrdiff_t nrxi_t_check_offset(const nrx_tensor *x, size_t k)
{
    size_t n[NRX_MAX_DIMS];
    int d;
    for (d = 0; d < x->ndim; d++) n[d] = x->shape[d];
    return nrxi_t_sum_offset(k, x->ndim, n, x->stride);
}

/* All gradients (order 1) or Hessian-vector products along v (order 2) in one array; NULL after an error. */
NRXI_FN double *nrxi_t_check_analytic(nrxi_t_check *c, nrx_scope *s, nrx_tensor *const *v, double *out)
{
    nrx_tensor **g = (nrx_tensor **)nrxi_t_work(s, c->n, sizeof *g), *y;
    nrx_status status;
    size_t i, k;
    if (!g) { nrxi_t_fail(s, NRX_E_NOMEM, "nrx_t_gradcheck: out of memory"); return NULL; }
    y = nrxi_t_check_value(c);
    status = !y ? s->status : v ? nrx_t_hvp(y, c->x, v, c->n, g) : nrx_t_grad(y, c->x, c->n, g);
    for (i = 0; i < c->n && status == NRX_OK; i++)
        for (k = 0; k < g[i]->size; k++) *out++ = nrxi_t_load_value(g[i], nrxi_t_check_offset(g[i], k));
    nrxi_t_work_drop(s, g);
    return status == NRX_OK && y ? out : NULL;
}

NRXI_FN nrx_status nrxi_t_check_run(nrxi_t_check *c, nrx_scope *s, int order, double eps, double *worst,
                                  double *a, double *lo, double *hi)
{
    size_t i, k, at = 0, total = 0;
    nrx_tensor **v, *y;
    nrx_rng rng;
    int ok;
    nrx_t_begin(s);
    ok = nrxi_t_check_analytic(c, s, NULL, a) != NULL;
    c->r = nrx_t_keep(c->r);
    nrx_t_end(s, NULL);
    for (i = 0; i < c->n && ok; i++)
        for (k = 0; k < c->x[i]->size && ok; k++, at++) {
            ptrdiff_t o = nrxi_t_check_offset(c->x[i], k);
            double old = nrxi_t_load_value(c->x[i], o), h = eps * (1 + fabs(old)), up, down, f[2], e;
            int side;
            for (side = 0; side < 2 && ok; side++) {
                nrxi_t_store_value(c->x[i], o, side ? old - h : old + h);
                nrx_t_begin(s);
                y = nrxi_t_check_value(c);
                ok = y != NULL;
                f[side] = y ? nrx_t_item(y) : 0;
                nrx_t_end(s, NULL);
            }
            nrxi_t_store_value(c->x[i], o, old + h);
            up = nrxi_t_load_value(c->x[i], o);
            nrxi_t_store_value(c->x[i], o, old - h);
            down = nrxi_t_load_value(c->x[i], o);
            nrxi_t_store_value(c->x[i], o, old);
            if (!ok) break;
            e = fabs((f[0] - f[1]) / (up - down) - a[at]) / (1 + fabs(a[at]));
            if (e > *worst || e != e) *worst = e == e ? e : HUGE_VAL;
        }
    if (order < 2 || !ok) return ok ? NRX_OK : s->status;
    for (i = 0; i < c->n; i++) total += c->x[i]->size;
    v = (nrx_tensor **)nrxi_t_work(s, c->n, sizeof *v);
    if (!v) return nrxi_t_fail(s, NRX_E_NOMEM, "nrx_t_gradcheck: out of memory"), NRX_E_NOMEM;
    nrx_rng_seed(&rng, 20260402, 0);
    nrx_t_begin(s);
    for (i = 0; i < c->n; i++) {
        v[i] = nrx_t_uniform(s, c->x[i]->dtype, nrx_t_shape(c->x[i]), -1, 1, &rng);
        ok = ok && v[i];
    }
    if (ok) {
        nrx_t_begin(s);
        ok = nrxi_t_check_analytic(c, s, v, a) != NULL;
        nrx_t_end(s, NULL);
        for (k = 0; k < 3 && ok; k++) { /* gradients at x + eps v, at x - eps v, and back */
            for (i = 0; i < c->n; i++) nrxi_t_axpy(c->x[i], k == 1 ? -2 * eps : eps, v[i]);
            if (k == 2) break;
            nrx_t_begin(s);
            ok = nrxi_t_check_analytic(c, s, NULL, k ? lo : hi) != NULL;
            nrx_t_end(s, NULL);
        }
        for (i = 0; i < total && ok; i++) {
            double e = fabs((hi[i] - lo[i]) / (2 * eps) - a[i]) / (1 + fabs(a[i]));
            if (e > *worst || e != e) *worst = e == e ? e : HUGE_VAL;
        }
    }
    nrx_t_end(s, NULL);
    nrxi_t_work_drop(s, v);
    return ok ? NRX_OK : s->status;
}

NRX_DEF nrx_status nrx_t_gradcheck(nrx_t_fn fn, void *user, nrx_tensor *const *x, size_t n, int order,
                                   double eps, double tol, double *worst)
{
    nrx_scope *s = x && n ? nrxi_t_enter("nrx_t_gradcheck", x, n, NRXI_T_FLOAT) : NULL;
    nrxi_t_check c;
    nrx_status status;
    double *a, found = 0;
    size_t i, total = 0;
    nrxi_t_label_info l;
    if (worst) *worst = 0;
    if (!s) return x && n && x[0] ? x[0]->scope->status : NRX_E_ARG;
    if (!fn) { nrxi_t_fail(s, NRX_E_ARG, "nrx_t_gradcheck: no function"); return NRX_E_ARG; }
    for (i = 0; i < n; i++) {
        if (!x[i]->requires_grad || x[i]->node->recorded) {
            nrxi_t_fail(s, NRX_E_STATE, "nrx_t_gradcheck: %s is not a leaf that requires gradients",
                        nrxi_t_label(&l, x[i]));
            return NRX_E_STATE;
        }
        total += x[i]->size;
    }
    a = (double *)nrxi_t_work(s, 3 * total + 3, sizeof *a);
    if (!a) { nrxi_t_fail(s, NRX_E_NOMEM, "nrx_t_gradcheck: out of memory"); return NRX_E_NOMEM; }
    c.fn = fn;
    c.user = user;
    c.x = x;
    c.n = n;
    c.r = NULL;
    if (eps <= 0) eps = x[0]->dtype == NRX_F64 ? 1e-6 : 1e-2;
    nrx_t_begin(s);
    status = nrxi_t_check_run(&c, s, order, eps, &found, a, a + total, a + 2 * total);
    nrx_t_end(s, NULL);
    nrxi_t_work_drop(s, a);
    if (worst) *worst = found;
    if (status == NRX_OK && !(found <= tol)) {
        nrxi_t_fail(s, NRX_E_NUMERIC, "nrx_t_gradcheck: gradients are off by %g, allowed %g", found, tol);
        status = NRX_E_NUMERIC;
    }
    return status;
}

/* -- files -- */

NRX_DEF nrx_tensor *nrx_t_parse_npy(nrx_scope *s, const void *bytes, size_t n)
{
    nrxi_npy info;
    nrx_status status;
    nrx_tensor *t = NULL;
    void *data = NULL;
    size_t shape[NRX_MAX_DIMS];
    int ndim = 0, dtype;
    if (!s) return NULL;
    if (!bytes) return nrxi_t_fail(s, NRX_E_ARG, "nrx_t_parse_npy: bytes is NULL");
    status = nrxi_npy_read(bytes, n, &info, "nrx_t_load_npy", &s->env);
    if (status == NRX_OK) {
        dtype = info.kind == 'f' || info.kind == 'c' ? (info.item <= 4 ? NRX_F32 : NRX_F64) : NRX_I64;
        status = nrxi_npy_decode(bytes, n, dtype, &data, shape, &ndim, "nrx_t_load_npy", &s->env);
        if (status == NRX_OK) t = nrx_t_from(s, dtype, nrx_s(ndim, shape), data);
        nrxi_free(&s->env, data);
    }
    if (status != NRX_OK) return nrxi_t_fail(s, status, "nrx_t_load_npy: %s", nrx_status_string(status));
    return t;
}

#if !defined(NRX_NO_STDIO)
NRX_DEF nrx_tensor *nrx_t_load_npy(nrx_scope *s, const char *path)
{
    unsigned char *bytes = NULL;
    nrx_status status;
    nrx_tensor *t;
    size_t n = 0;
    if (!s) return NULL;
    if (!path) return nrxi_t_fail(s, NRX_E_ARG, "nrx_t_load_npy: path is NULL");
    status = nrxi_file_read(path, &bytes, &n, &s->env);
    if (status != NRX_OK)
        return nrxi_t_fail(s, status, "nrx_t_load_npy: %s: %s", path, nrx_status_string(status));
    t = nrx_t_parse_npy(s, bytes, n);
    nrxi_free(&s->env, bytes);
    return t;
}
NRX_DEF nrx_status nrx_t_save_npy(const char *path, const nrx_tensor *x)
{
    nrx_scope *s = nrxi_t_enter1("nrx_t_save_npy", x, 0);
    nrx_status status = NRX_E_NOMEM;
    nrx_tensor *p;
    if (!s) return x ? x->scope->status : NRX_E_ARG;
    if (!path) { nrxi_t_fail(s, NRX_E_ARG, "nrx_t_save_npy: path is NULL"); return NRX_E_ARG; }
    nrx_t_begin(s);
    p = nrxi_t_plain((nrx_tensor *)x, &nrxi_t_op_copy);
    if (p) status = nrxi_npy_save(path, x->dtype, p->data, x->shape, x->ndim, &s->env);
    nrx_t_end(s, NULL);
    if (status != NRX_OK) nrxi_t_fail(s, status, "nrx_t_save_npy: %s: %s", path, nrx_status_string(status));
    return status;
}
NRX_DEF nrx_tensor *nrx_t_load_npz(nrx_scope *s, const char *path, const char *member)
{
    unsigned char *bytes = NULL;
    nrxi_npz_entry entry;
    nrx_status status;
    nrx_tensor *t = NULL;
    size_t n = 0;
    if (!s) return NULL;
    if (!path || !member) return nrxi_t_fail(s, NRX_E_ARG, "nrx_t_load_npz: path or member is NULL");
    memset(&entry, 0, sizeof entry);
    status = nrxi_file_read(path, &bytes, &n, &s->env);
    if (status == NRX_OK) status = nrxi_npz_find(bytes, n, 0, member, &entry, "nrx_t_load_npz", &s->env);
    if (status == NRX_OK) t = nrx_t_parse_npy(s, entry.bytes, entry.n);
    else nrxi_t_fail(s, status, "nrx_t_load_npz: %s, member %s: %s", path, member, nrx_status_string(status));
    nrxi_free(&s->env, bytes);
    return t;
}
NRX_DEF nrx_status nrx_t_save_npz(const char *path, const char *const *members, nrx_tensor *const *x,
                                  size_t n)
{
    nrx_scope *s = x && n ? nrxi_t_enter("nrx_t_save_npz", x, n, 0) : NULL;
    nrx_npz_item *items;
    unsigned char *bytes = NULL;
    nrx_status status = NRX_OK;
    size_t size = 0, i;
    if (!s) return x && n && x[0] ? x[0]->scope->status : NRX_E_ARG;
    if (!path || !members) {
        nrxi_t_fail(s, NRX_E_ARG, "nrx_t_save_npz: path or members is NULL");
        return NRX_E_ARG;
    }
    items = (nrx_npz_item *)nrxi_t_work(s, n, sizeof *items);
    if (!items) { nrxi_t_fail(s, NRX_E_NOMEM, "nrx_t_save_npz: out of memory"); return NRX_E_NOMEM; }
    nrx_t_begin(s);
    for (i = 0; i < n && status == NRX_OK; i++) {
        nrx_tensor *p = nrxi_t_plain(x[i], &nrxi_t_op_copy);
        if (!p || !members[i]) { status = p ? NRX_E_ARG : NRX_E_NOMEM; break; }
        items[i].name = members[i];
        items[i].dtype = x[i]->dtype;
        items[i].data = p->data;
        items[i].shape = x[i]->shape;
        items[i].ndim = x[i]->ndim;
    }
    if (status == NRX_OK) status = nrxi_npz_encode(items, n, &bytes, &size, &s->env);
    if (status == NRX_OK) status = nrxi_file_write(path, bytes, size, NULL, 0, &s->env);
    nrxi_free(&s->env, bytes);
    nrx_t_end(s, NULL);
    nrxi_t_work_drop(s, items);
    if (status != NRX_OK) nrxi_t_fail(s, status, "nrx_t_save_npz: %s: %s", path, nrx_status_string(status));
    return status;
}
#endif

NRXI_GLUE_END
NRXI_IMPL_END
#endif /* implementation */

/* ---- recent history ----
   0.1.0  first version

   ---- licence: your choice of ----
   MIT-0. Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
   associated documentation files, to deal in the software without restriction, including without limitation
   the rights to use, copy, modify, merge, publish, distribute, sublicense and/or sell copies of it. The
   software is provided "as is", without warranty of any kind, express or implied; in no event shall the
   authors be liable for any claim, damages or other liability. Public domain (unlicense.org). This is free
   and unencumbered software released into the public domain.
*/
