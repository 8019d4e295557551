/* nrx_nets.h - v0.1.0 - convex and weakly convex networks, and the regularizers, denoisers and schemes
   learned with them
   SPDX-License-Identifier: MIT-0 OR Unlicense

   DO THIS in one .c or .cpp file of your program (and include the header plainly elsewhere):
       #define NRX_NETS_IMPLEMENTATION
       #include "nrx_nets.h"

   A COMPLETE PROGRAM   cc -O2 example.c -lm
 * >>> example
 *  #define NRX_NETS_IMPLEMENTATION
 *  #include "nrx_nets.h"
 *  #include <stdio.h>
 *  int main(void)
 *  {
 *      static float image[64 * 64], gradient[64 * 64];
 *      nrx_net *net;
 *      nrx_functional r;
 *      nrx_net_report proof;
 *      double value;
 *      int i;
 *      for (i = 0; i < 64 * 64; i++) image[i] = i % 64 < 32 ? 0.0f : 1.0f;   // an edge
 *      if (nrx_net_icnn(NULL, &net) != NRX_OK) return 1;                     // an input-convex network
 *      if (nrx_net_functional(net, 64, 64, NULL, &r) != NRX_OK) return 1;  // as a regularizer
 *      if (r.eval(r.user, image, &value, gradient) != NRX_OK) return 1;
 *      nrx_net_certify(net, 64, 64, &proof);
 *      printf("R(image) = %g; %s\n", value, proof.text);
 *      nrx_net_functional_free(&r);
 *      nrx_net_free(net);
 *      return 0;
 *  }
 * <<< example

   WHAT IT DOES
   - The engine: a network is a static graph of layers with all parameters in one float array. A plan fixes
     batch and image size and owns the workspace; on it run forward, backward, tangent (directional
     derivative) and the backward of the tangent, which gives gradient penalties, Hessian-vector products and
     score matching exactly, without a tape.
   - Certificates: nrx_net_certify walks the graph and proves convex, or weakly convex with its modulus,
     bounds the Lipschitz constants, or names the layer and the entry that spoil the proof; nrx_net_bounds
     does so over a box, with bounds of the outputs.
   - Ready-made regularizers, denoisers and unrolled schemes; their training (adversarial, score and proximal
     matching, supervised, bilevel); reconstruction with steps from the certificate; posterior samples; tiles
     and volumes.
   - Checkpoints: safetensors in and out, PyTorch .pt/.pth state dictionaries in (nothing in them is ever
     executed), C arrays out.

   WHAT IT DOES NOT DO   GPUs, f64 or int8 networks, 3-D convolutions (volumes go slice by slice), batch
   statistics in training (batch norm uses its stored statistics and can be folded), recurrent layers,
   attention.

   CONVENTIONS   Feature maps are f32 [n][c][h][w], row-major, cross-correlation as in PyTorch; 1-D data have
   h = 1. A dense layer flattens [c][h][w]. A regularizer is a network whose output is one number per sample.
   All lengths are in elements, workspace sizes in bytes.

   ERRORS   Every call that can fail returns nrx_status and logs one line (nrx_env.log, else NRX_LOG).
   Builders return the number of the new node, or -1; the first error is kept and returned by
   nrx_net_plan_create and nrx_net_status.

   MEMORY   Networks and plans allocate at creation only; with nrx_net_plan_desc.memory a plan allocates
   nothing.
   THREADS   One thread per plan; any number of plans may share one network as long as nobody trains it.
   Results do not depend on the number of threads that nrx_env.parallel_for or OpenMP uses inside.
   DETERMINISM   The same build on the same kind of processor gives the same bits; under NRX_REPRODUCIBLE
   inference gives the same bits everywhere. All randomness comes from the seeds in the descriptors.

   CONFIGURATION (define before the implementation)
     NRX_MALLOC, NRX_REALLOC, NRX_FREE   all or none: the default allocator
     NRX_LOG(line)                       where error lines go (default: nowhere; stderr under NRX_VERBOSE)
     NRX_NO_STDIO                        no files, no stderr
     NRX_NO_SIMD                         plain C loops only
     NRX_REPRODUCIBLE                    scalar arithmetic that gives the same bits on every platform
     NRX_STATIC, NRX_DEF                 linkage
     NRX_MAX_ELEMS                       largest element count a loaded tensor may have (default 2^28)
*/
#if defined(NRX_STATIC) && defined(NRX_LINKAGE_) && NRX_LINKAGE_ != 1
#error "NRX_STATIC must be defined before the first nrx include of this translation unit"
#endif
#ifndef NRX_NETS_H
#define NRX_NETS_H
#ifndef NRX_NO_STDIO
#include <stdio.h>
#endif
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
/* >>> nrx solve (declarations) */
#ifndef NRX_SOLVE_VERSION
#define NRX_SOLVE_VERSION 351400716
/* What iterative solvers take and report. Not converging is a result, not an error: look at nrx_solve_info.stop. */

#define NRX_STOP_LIST(X)                                                                      \
    X(NRX_STOP_NONE, 0, "did not run")                                                        \
    X(NRX_STOP_TOL, 1, "residual below the tolerance")                                        \
    X(NRX_STOP_GAP, 2, "certified gap below the tolerance")                                   \
    X(NRX_STOP_DISCREPANCY, 3, "data fitted to the given noise level")                        \
    X(NRX_STOP_EXACT, 4, "the starting point is already a solution")                          \
    X(NRX_STOP_MAX_ITER, 5, "iteration limit")                                                \
    X(NRX_STOP_STALLED, 6, "no further progress at this precision")                           \
    X(NRX_STOP_LINESEARCH, 7, "line search found no acceptable step")                         \
    X(NRX_STOP_INDEFINITE, 8, "operator is not positive definite")                            \
    X(NRX_STOP_CONDITION, 9, "condition number above the limit")                              \
    X(NRX_STOP_NUMERIC, 10, "a value was not finite; the last good iterate is returned")      \
    X(NRX_STOP_CALLBACK, 11, "an operator or functional reported an error")                   \
    X(NRX_STOP_CANCELLED, 12, "cancelled by the progress callback")
enum {
#define NRX_X_(name, value, text) name = value,
    NRX_STOP_LIST(NRX_X_)
#undef NRX_X_
    NRX_STOP_COUNT_ = 13
};

/* One sentence for nrx_solve_info.stop; never NULL. */
NRX_INLINE const char *nrx_stop_string(int stop)
{
    switch (stop) {
#define NRX_X_(name, value, text) case name: return text;
    NRX_STOP_LIST(NRX_X_)
#undef NRX_X_
    default: return "unknown stop reason";
    }
}

enum { NRX_SOLVE_AUTO = 0,        /* accelerated when everything is known to be convex, else nmAPG                     */
       NRX_SOLVE_GRADIENT = 1,    /* gradient / proximal gradient (ISTA): monotone                                     */
       NRX_SOLVE_ACCELERATED = 2, /* Nesterov / FISTA with adaptive restart                                            */
       NRX_SOLVE_NMAPG = 3        /* nonmonotone accelerated proximal gradient: for non-convex and weakly convex terms */ };

typedef struct nrx_solve_desc {
    size_t max_iter;       /* 0 = 1000 */
    double tol;            /* relative tolerance; 0 = 1e-5 in f32, 1e-8 in f64; negative = never stop on it */
    double discrepancy;    /* > 0: stop once |A x - b| <= this (noise level; Morozov: 1.01 times the noise norm) */
    double damp;           /* CGLS, LSQR: min |A x - b|^2 + damp^2 |x|^2 */
    double step;           /* > 0: primal step, taken as given; 0 = from norms and moduli, else estimated and checked on the way */
    double ratio;          /* PDHG: step / dual step when both come from |K|; 0 = 1 */
    double gamma;          /* PDHG: > 0 accelerates for a gamma-strongly convex g; < 0 never; 0 = use g's mu / 2 when known */
    int    method;         /* NRX_SOLVE_*; for the smooth solver */
    int    no_restart;     /* non-zero: plain FISTA without restart */
    int    adaptive;       /* PDHG: non-zero balances primal and dual residual (Goldstein et al. 2013) */
    int    use_lower, use_upper; /* non-zero: x >= lower, x <= upper in every entry */
    double lower, upper;
    size_t check_every;    /* PDHG: iterations between gap and residual tests; 0 = 10 */
    size_t memory;         /* pairs or steps that a method remembers (L-BFGS, GMRES, Anderson); 0 = its default */
    int    use_target;     /* non-zero: `target` is the minimum, or a lower bound (Polyak's steps) */
    double target;
    uint64_t seed;         /* of stochastic methods */
    double *history;       /* NULL, or history_size values: what the solver reports to progress, once per iteration */
    size_t history_size;
    nrx_env env;
} nrx_solve_desc;

typedef struct nrx_solve_info {
    size_t iterations;
    size_t applies;        /* operator applications: A and A^T counted alike */
    size_t evals;          /* functional evaluations (value, gradient or prox) */
    size_t restarts;       /* restarts of the acceleration, or steps that had to be shortened */
    size_t history_count;  /* values written to history */
    double objective;      /* at the returned x, as the solver documents */
    double residual;       /* what was compared with tol, relative */
    double gap;            /* certified upper bound of objective - minimum; negative = no bound is available */
    double step;           /* last (primal) step */
    double norm;           /* operator norm used; 0 = none */
    int    stop;           /* NRX_STOP_* */
} nrx_solve_info;
#elif NRX_SOLVE_VERSION != 351400716
#error "nrx: headers with different versions of the solve block are mixed in one translation unit"
#endif
/* <<< nrx solve (declarations) */
#ifdef __cplusplus
extern "C" {
#endif

#define NRX_NETS_VERSION "0.1.0"

/* Version of the implementation that was linked, "major.minor.patch". */
NRX_DEF const char *nrx_net_version(void);

/* ==== networks: graphs of layers ==== */

typedef struct nrx_net nrx_net;           /* a graph, its parameters and their gradients */
typedef struct nrx_net_plan nrx_net_plan; /* a network at one batch and image size, with its workspace */

typedef struct nrx_net_desc {
    size_t   channels; /* of the input; 0 = 1 */
    uint64_t seed;     /* of the initial weights */
    nrx_env  env;
} nrx_net_desc;

/* An empty graph whose node 0 is the input. Each builder below appends one node and returns its number, or -1
   (nrx_net_status then tells the first error); a node that is fed -1 also returns -1, so that only the end of
   a chain needs a look. */
NRX_DEF nrx_status nrx_net_create(const nrx_net_desc *desc, nrx_net **net);
NRX_DEF void nrx_net_free(nrx_net *net);
NRX_DEF nrx_status nrx_net_status(const nrx_net *net); /* first error of the builders */

enum { /* how a convolution continues its input beyond the border, named as in PyTorch */
    NRX_NET_PAD_ZERO = 0, NRX_NET_PAD_CIRCULAR = 1, NRX_NET_PAD_REFLECT = 2, NRX_NET_PAD_REPLICATE = 3,
        NRX_NET_PAD_VALID = 4
};
/* what is known of a weight; the first group are constraints kept by nrx_net_project, the second
   parametrizations */
enum {
    NRX_NET_W_FREE = 0, NRX_NET_W_NONNEGATIVE = 1, NRX_NET_W_UNIT_NORM = 3, NRX_NET_W_UNIT_SPECTRAL = 4,
    /* each filter used minus its mean over (input channel, ky, kx) separately per input channel */
    NRX_NET_W_ZERO_MEAN = 16,
    NRX_NET_W_EXP = 17,       /* exp(stored) > 0 */
    NRX_NET_W_SOFTPLUS = 18   /* log(1 + exp(stored)) > 0 */
};

typedef struct nrx_net_conv_desc {
    size_t channels;         /* output channels; 0 = 1 */
    size_t kernel;           /* width, and height too unless kernel_height is set; 0 = 3 */
    size_t kernel_height;    /* 0 = kernel (1 for a 1-D convolution) */
    size_t stride, dilation, groups; /* 0 = 1 */
    int    padding;          /* NRX_NET_PAD_*; the amount is `pad`, or what keeps the size at stride 1 */
    size_t pad;              /* cells on each side; 0 = (kernel-1)*dilation/2 each way, none for PAD_VALID */
    size_t output_padding;   /* transposed convolutions only: extra rows and columns at the end */
    int    no_bias;
    int    weights;          /* NRX_NET_W_* */
    /* 0 = uniform in +-1/sqrt(fan in) (Kaiming, PyTorch's default); > 0 = uniform in [0, init]; < 0 =
       normal(0, -init) */
    double init;
    double learning_rate;    /* factor on the optimizer's rate for this layer; 0 = 1 */
    const char *name;        /* prefix of the parameter names; NULL = "convN" */
} nrx_net_conv_desc;

/* Convolution and its transpose (the adjoint of a convolution with the same descriptor, zero padding only).
   Weight shapes are PyTorch's: [channels][in/groups][kh][kw], and [in][channels/groups][kh][kw] for the
   transpose. */
NRX_DEF int nrx_net_conv2d(nrx_net *net, int input, const nrx_net_conv_desc *desc);
NRX_DEF int nrx_net_conv_transpose2d(nrx_net *net, int input, const nrx_net_conv_desc *desc);

typedef struct nrx_net_dense_desc {
    size_t inputs;           /* size c*h*w of the flattened input; 0 = its channels (h = w = 1) */
    size_t features;         /* outputs; 0 = 1 */
    int    no_bias, weights; /* NRX_NET_W_* */
    double init, learning_rate; /* as for convolutions */
    const char *name;
} nrx_net_dense_desc;

NRX_DEF int nrx_net_dense(nrx_net *net, int input, const nrx_net_dense_desc *desc);

enum { /* pointwise functions; a, b are their parameters, with defaults when 0 */
    NRX_NET_RELU = 0,
    NRX_NET_LEAKY_RELU,      /* max(t, a t), a = 0.2 */
    NRX_NET_SMOOTH_RELU,     /* 0, t^2/(2a) on [0,a], t - a/2; a = 0.01 */
    NRX_NET_SOFTPLUS,        /* log(1 + exp(a t))/a, a = 1 */
    NRX_NET_ELU,             /* t, a(exp(t)-1) below 0, a = 1 */
    NRX_NET_CELU,            /* t, a(exp(t/a)-1) below 0, a = 1 */
    NRX_NET_SILU,            /* t sigmoid(t) */
    NRX_NET_TANH,
    NRX_NET_SIGMOID,
    NRX_NET_GELU,            /* t Phi(t) */
    NRX_NET_SINE,            /* sin(a t), a = 1 */
    NRX_NET_HUBER,           /* t^2/(2a) up to |t| = a, |t| - a/2 beyond; a = 1 */
    NRX_NET_ABS,
    NRX_NET_SQUARE,          /* t^2 */
    NRX_NET_LOGCOSH,         /* log(cosh(a t))/a, a = 1 */
    NRX_NET_SOFTPLUS0,       /* softplus(t) - log 2 */
    NRX_NET_LOG_STUDENT,     /* log(1 + a t^2)/2, a = 1 */
    NRX_NET_EXP,
    NRX_NET_IDENTITY,
    NRX_NET_CLIP             /* clip to [a, b]; a = b = 0 means [0, 1] */
};
NRX_DEF int nrx_net_activation(nrx_net *net, int input, int kind, double a, double b);

/* A learned profile per channel: psi(t) = (alpha/s^2) (h(kappa s t)/kappa - rho h(s t)) with Huber's h, the
   ridge functions of Goujon et al. (IEEE TCI 2023; SIAM J. Imaging Sci. 2024) in the spline-free form; rho 0
   (convex) or 1 (weakly convex). Parameters log_s and log_kappa per channel, log_alpha; learning_rate as for
   convolutions (0 = 1). */
NRX_DEF int nrx_net_ridge(nrx_net *net, int input, double rho, double log_s, double log_kappa,
    double log_alpha, double learning_rate, const char *name);
/* A learned linear spline per channel with `knots` uniform knots on [-range, range], continued linearly;
   starts as `kind` (an activation above, b = 0). integrated: the node is the integral of the spline from 0,
   so that the spline is its derivative. */
NRX_DEF int nrx_net_spline(nrx_net *net, int input, size_t knots, double range, int integrated, int kind,
    double a, const char *name);

/* + one number per channel */
NRX_DEF int nrx_net_bias(nrx_net *net, int input, const char *name);
/* a*first + b*second; second may be -1 when b = 0; sizes equal, or second is [1][h][w] or [c][1][1] */
NRX_DEF int nrx_net_add(nrx_net *net, int first, int second, double a, double b);
NRX_DEF int nrx_net_scale(nrx_net *net, int input, double factor);                       /* factor*input */
/* times a learned scalar or vector */
NRX_DEF int nrx_net_scale_learned(nrx_net *net, int input, int per_channel, int weights, double init,
    double learning_rate, const char *name);
NRX_DEF int nrx_net_multiply(nrx_net *net, int first, int second);                       /* entrywise */
/* channels of first, then of second */
NRX_DEF int nrx_net_concat(nrx_net *net, int first, int second);
NRX_DEF int nrx_net_slice(nrx_net *net, int input, size_t first_channel, size_t channels);
/* size x size blocks, stride size */
NRX_DEF int nrx_net_avg_pool(nrx_net *net, int input, size_t size);
NRX_DEF int nrx_net_max_pool(nrx_net *net, int input, size_t size);
/* over c, h, w: one number */
NRX_DEF int nrx_net_sum(nrx_net *net, int input);
/* the same, divided by their count */
NRX_DEF int nrx_net_mean(nrx_net *net, int input);
/* over h, w: [c][1][1] */
NRX_DEF int nrx_net_spatial_mean(nrx_net *net, int input);
NRX_DEF int nrx_net_sqnorm(nrx_net *net, int input);                                     /* sum of squares */
NRX_DEF int nrx_net_l1norm(nrx_net *net, int input);
NRX_DEF int nrx_net_hubernorm(nrx_net *net, int input, double delta);
/* enlarge; bilinear with half-pixel centres */
NRX_DEF int nrx_net_resize(nrx_net *net, int input, size_t factor, int bilinear);
/* groups 0 = one per channel (instance norm) */
NRX_DEF int nrx_net_group_norm(nrx_net *net, int input, size_t groups, double eps, const char *name);
/* with stored mean and variance */
NRX_DEF int nrx_net_batch_norm(nrx_net *net, int input, double eps, const char *name);
/* A layer made from any f32 linear operator, one per channel: input [c][h][w] with h*w = op.cols, output
   [c][height][width] with height*width = op.rows (the adjoint the other way round), times scale (0 =
   1/op.norm). op must outlive the network. */
NRX_DEF int nrx_net_operator(nrx_net *net, int input, const nrx_linop *op, int adjoint, size_t height,
    size_t width, double scale);
/* Reads `input` at the points of `grid` [2][h][w] (x, then y; -1 and 1 are the image's outer edges),
   bilinear, zero outside: PyTorch's grid_sample with align_corners=False. Differentiable in both. */
NRX_DEF int nrx_net_grid_sample(nrx_net *net, int input, int grid);
/* Spectral convolution of Fourier neural operators (Li et al., ICLR 2021): the lowest modes_y frequencies of
   either sign (0: the mean over y only, for 1-D data) times modes_x non-negative ones are mixed by complex
   weights [channels][in][rows][columns][2], the others dropped; works at any image size that has these
   modes. */
NRX_DEF int nrx_net_spectral_conv2d(nrx_net *net, int input, size_t channels, size_t modes_y,
    size_t modes_x, const char *name);
/* Makes `node` the output; without it the last node is. */
NRX_DEF void nrx_net_output(nrx_net *net, int node);

/* Parameters: `list` (may be NULL) receives up to `max` blocks; returns how many there are. value and grad
   point into the network, so any optimizer over nrx_param trains it; call nrx_net_project after each step. */
NRX_DEF size_t nrx_net_params(nrx_net *net, nrx_param *list, size_t max);
NRX_DEF size_t nrx_net_param_count(const nrx_net *net); /* numbers in all blocks */
NRX_DEF void nrx_net_zero_grad(nrx_net *net);
/* Leaves all parameters whose name starts with `prefix` out of training (on 0: back in). Files do not keep
   it. */
NRX_DEF void nrx_net_freeze(nrx_net *net, const char *prefix, int on);
/* Folds every batch norm that directly follows a convolution of its own into that convolution's weights; a
   bias per
   channel is left. Returns how many were folded. The results stay the same up to rounding. */
NRX_DEF size_t nrx_net_fold(nrx_net *net);
/* Projects the parameters onto their constraints (clamp at 0, unit rows, unit spectral norm). */
NRX_DEF void nrx_net_project(nrx_net *net);

/* ==== running a network ==== */

/* forward only | and backward | and both tangents */
enum { NRX_NET_INFER = 0, NRX_NET_GRADIENT = 1, NRX_NET_PAIR = 2 };

typedef struct nrx_net_plan_desc {
    size_t n, height, width; /* 0 = 1 */
    int    mode;             /* NRX_NET_INFER, _GRADIENT or _PAIR: what will be asked for */
    /* NULL = allocated; else nrx_net_plan_size() bytes, aligned to 64, that outlive the plan */
    void  *memory;
    size_t memory_size;
    nrx_env env;
} nrx_net_plan_desc;

/* bytes; 0 = not possible (logged) */
NRX_DEF size_t nrx_net_plan_size(const nrx_net *net, const nrx_net_plan_desc *desc);
NRX_DEF nrx_status nrx_net_plan_create(const nrx_net *net, const nrx_net_plan_desc *desc,
    nrx_net_plan **plan);
NRX_DEF void nrx_net_plan_free(nrx_net_plan *plan);
NRX_DEF void nrx_net_plan_output_shape(const nrx_net_plan *plan, size_t shape[4]); /* n, c, h, w of y */

/* y = net(x). x [n][c][h][w], y as nrx_net_plan_output_shape says, may be NULL. */
NRX_DEF nrx_status nrx_net_forward(nrx_net_plan *plan, const float *x, float *y);
/* After forward at x: gx = J^T gy, and grad (NULL, or nrx_net_param_count() numbers) += its counterpart for
   the parameters. gy NULL means ones; gx may be NULL. Pass nrx_net_grad(net) as grad to train. */
NRX_DEF nrx_status nrx_net_backward(nrx_net_plan *plan, const float *gy, float *gx, float *grad);
/* After forward at x: dy = J v, the derivative of y in direction v. dy may be NULL. Plans of mode
   NRX_NET_PAIR only. */
NRX_DEF nrx_status nrx_net_tangent(nrx_net_plan *plan, const float *v, float *dy);
/* After forward at x and tangent along v: gradients of <gy, y> + <gdy, dy> in x, v (either may be NULL) and
   the parameters (grad +=, or NULL). gy NULL means zeros, gdy NULL ones: for a regularizer gx is then the
   Hessian times v, and grad receives the parameter gradient of <v, grad_x R>. After nrx_net_backward with gy
   NULL on the same x its adjoints are used again. */
NRX_DEF nrx_status nrx_net_backward_tangent(nrx_net_plan *plan, const float *gy, const float *gdy,
    float *gx, float *gv, float *grad);

NRX_DEF float *nrx_net_grad(nrx_net *net);                /* all gradients, in the order of nrx_net_params */
NRX_DEF float *nrx_net_weights(nrx_net *net);             /* all parameters in that order */

/* ==== certificates ==== */

typedef struct nrx_net_report {
    int    convexity;     /* of every output in x: NRX_CONVEX, NRX_WEAKLY_CONVEX or 0 = not proven */
    double rho;           /* output + rho/2 |x|^2 is convex; infinite when nothing is proven */
    double mu;            /* strong convexity modulus */
    double lip;           /* upper bound of the Lipschitz constant of x -> output */
    double lip_gradient;  /* upper bound of that of its gradient; infinite for non-smooth networks */
    size_t parameters;
    int    node;          /* the node that spoils a proof, or -1 */
    size_t index;         /* the entry of its parameter that does */
    double value;         /* that entry */
    char   layer[64];     /* its name, "" = none */
    char   text[200];     /* the verdict in one line */
} nrx_net_report;

/* Proves what it can for inputs of height x width (0, 0: bounds that depend on the size are then infinite).
   Everything is an upper bound that holds for real arithmetic; rounding adds about 1e-6 relative. A
   non-finite parameter gives NRX_E_NUMERIC and names it. Sources: Amos et al. 2017 (input convexity);
   composition rules and the trigonometric-polynomial bound of Ehlich and Zeller 1964 for the norm of
   convolutions. */
NRX_DEF nrx_status nrx_net_certify(const nrx_net *net, size_t height, size_t width, nrx_net_report *report);

typedef struct nrx_net_box {
    const float *lower, *upper; /* [channels][height][width]: lower <= x <= upper; or both NULL and */
    const float *centre;     /* centre - radius <= x <= centre + radius */
    double radius;
    int    interval;         /* 1 = intervals alone: five numbers per neuron, wider bounds */
    nrx_env env;
} nrx_net_box;

/* What holds for every x in a box: lower <= net(x) <= upper (f64, of the output's size; either may be NULL),
   and report (may be NULL) with the constants of nrx_net_certify over the box alone: a Lipschitz constant
   never above the global one, convexity and moduli where slopes and products are bounded. Affine forms in x
   for the values (zonotopes), intervals for the Jacobian; exact for affine networks. For small networks: 3 n
   + 5 numbers per live neuron and as many operations per weight, n the size of x. Bounds are rounded outward
   in f64; an f32 run adds its own 1e-6. Fourier, operator, group-norm and grid-sampling layers give
   NRX_E_UNSUPPORTED, bounds that overflow NRX_E_RANGE. */
NRX_DEF nrx_status nrx_net_bounds(const nrx_net *net, size_t height, size_t width, const nrx_net_box *box,
    double *lower, double *upper, nrx_net_report *report);

/* ==== regularizers ==== */

typedef struct nrx_net_functional_desc {
    /* the functional is x -> weight/scale^2 * R(scale*x); 0 = 1. Then rho and lip are weight times those of
       R */
    double weight, scale;
    void  *memory;        /* NULL = allocated; else nrx_net_functional_size() bytes */
    size_t memory_size;
    nrx_env env;
} nrx_net_functional_desc;

/* R as an f32 functional on images of the network's channels x height x width, with its convexity, moduli and
   Lipschitz constant from the certificate. net must outlive it; changed weights need a new functional. Free
   it with nrx_net_functional_free. A ridge regularizer (convolution, ridge, sum) is evaluated strip by strip
   in a few kilobytes per image row. */
NRX_DEF size_t nrx_net_functional_size(const nrx_net *net, size_t height, size_t width);
NRX_DEF nrx_status nrx_net_functional(const nrx_net *net, size_t height, size_t width,
    const nrx_net_functional_desc *desc, nrx_functional *functional);
NRX_DEF void nrx_net_functional_free(nrx_functional *functional);
/* Changes weight and scale of a functional made above, with its constants: for continuation and parameter
   search. */
NRX_DEF nrx_status nrx_net_functional_rescale(nrx_functional *functional, double weight, double scale);

typedef struct nrx_net_crr_desc {
    size_t  filters, kernel; /* 0 = 24 filters of 5 x 5 */
    double  sigma;           /* noise level the profiles start from; 0 = 0.05 */
    int     padding;         /* NRX_NET_PAD_* ; the default zero has the sharpest certificate */
    uint64_t seed;
    nrx_env env;
} nrx_net_crr_desc;

/* Convex and weakly convex ridge regularizers: zero-mean filters, learned profiles, sum. */
NRX_DEF nrx_status nrx_net_crr(const nrx_net_crr_desc *desc, nrx_net **net);
NRX_DEF nrx_status nrx_net_wcrr(const nrx_net_crr_desc *desc, nrx_net **net);

typedef struct nrx_net_icnn_desc {
    size_t inputs;           /* channels of x; 0 = 1 */
    size_t layers, channels, kernel; /* 0 = 5 layers of 16 channels, 5 x 5 */
    int    activation;       /* NRX_NET_*; 0 = leaky ReLU; convex and non-decreasing, or nothing is proven */
    double activation_a;
    int    padding;
    int    zero_mean;        /* zero-mean filters on x (of the smooth layer where there is one) */
    int    sum;              /* output is the sum instead of the mean of the last feature map */
    double quadratic;        /* > 0: + softplus(q) |x|^2, starting at this weight: strong convexity */
    size_t filter_bank;      /* > 0: + softplus(p) sum_i |U_i x|_1 with this many banks of 32 filters 7 x 7 */
    /* > 0: the ICNN reads SiLU(conv x) with so many channels instead of x (weakly convex); IWCNN default 8 */
    size_t smooth_channels;
    int    unconstrained;    /* 1 = W may be negative: the same network as a plain adversarial critic (AR) */
    /* of the non-negative weights: uniform in [0, init]; 0 = 2/(channels kernel^2) */
    double init;
    uint64_t seed;
    nrx_env  env;
} nrx_net_icnn_desc;

/* Input-convex network: z_0 = s(V_0 x + b_0), z_{l+1} = s(W_l z_l + V_{l+1} x + b_{l+1}), R = mean(W_f z_L),
   W >= 0 (Amos, Xu, Kolter, ICML 2017; convolutional: Mukherjee et al., arXiv 2008.02839). With quadratic and
   filter_bank it is the regularizer of ACR. */
NRX_DEF nrx_status nrx_net_icnn(const nrx_net_icnn_desc *desc, nrx_net **net);
/* Input weakly convex network: an ICNN after a smooth layer (Shumaylov et al., arXiv 2402.01052). */
NRX_DEF nrx_status nrx_net_iwcnn(const nrx_net_icnn_desc *desc, nrx_net **net);

/* ==== training ==== */

enum { NRX_NET_LOSS_L2 = 0, NRX_NET_LOSS_L1, NRX_NET_LOSS_PROXIMAL, NRX_NET_LOSS_CRITIC };
enum {
    /* clean image predicted as y - grad R(y): score matching, gradient-step denoisers */
    NRX_NET_PREDICT_STEP = 0,
    NRX_NET_PREDICT_GRADIENT, /* as grad R(y): learned proximal networks */
    NRX_NET_PREDICT_OUTPUT    /* as the network's output: supervised */
};

/* Where training images come from: a callback for clean images (noise is added), a callback for pairs, or a
   stack [count][height][width] from which random, randomly flipped patches are cut. Callbacks fill n samples
   and take all randomness from rng. */
typedef struct nrx_net_data {
    nrx_status (*draw)(void *user, nrx_rng *rng, size_t n, float *clean);
    nrx_status (*pairs)(void *user, nrx_rng *rng, size_t n, float *clean, float *noisy);
    void *user;
    const float *images;
    size_t count, height, width;
} nrx_net_data;

typedef struct nrx_net_train_desc {
    int    loss, predict;    /* NRX_NET_LOSS_*, NRX_NET_PREDICT_*; the critic ignores predict */
    nrx_net_data data;
    /* of the network's input in training; 0 = up to 48 (images), required with callbacks */
    size_t height, width;
    size_t batch, steps;     /* 0 = 4, 3000 */
    double rate, last_rate;  /* Adam's rate, 0 = 3e-3; factor on it in the last quarter, 0 = 0.2 */
    double beta1, beta2;     /* 0 = 0.9, 0.99 */
    double clip;             /* largest gradient norm; 0 = none */
    double sigma_min, sigma_max; /* noise added to clean images: uniform in between; 0 = 0.05 and equal */
    double penalty;          /* critic: weight of the gradient penalty, 0 = 10 */
    int    two_sided;        /* critic: (|g|-1)^2 instead of max(|g|-1,0)^2 */
    double gamma;            /* proximal matching: width of the loss, 0 = 0.1 */
    uint64_t seed;           /* step k draws from stream k of this seed: a resumed run gives the same bits */
    size_t first_step;       /* resume here, with `state` as it was left */
    /* NULL, or 2*nrx_net_param_count() numbers of Adam, zero at first, kept for resuming */
    float *state;
    int    noise_map;        /* 1 = the last input channel is given each sample's noise level */
    /* steps between validations, 0 = none; the best weights are kept and given back */
    size_t validate_every;
    size_t patience;         /* stop after so many validations without a new best; 0 = never */
    const nrx_net_data *validation; /* images of the validation loss (the training loss on 8 fixed batches) */
    double (*validate)(void *user, nrx_net *net); /* instead: your own number, the smaller the better */
    void  *validate_user;
    int    keep_last;        /* 1 = end with the last weights all the same (to resume to the bit) */
    /* validation, checkpoints; NRX_E_CANCELLED stops */
    nrx_status (*after_step)(void *user, nrx_net *net, size_t step);
    void  *after_user;
    nrx_env env;             /* progress: value is the ratio below */
} nrx_net_train_desc;

typedef struct nrx_net_train_info {
    size_t steps;
    double first_loss, loss; /* of the first and the last batch */
    /* running mean of |prediction - clean|^2 / |noisy - clean|^2; critic: of R(clean) - R(noisy) */
    double ratio;
    double best;             /* smallest validation value, and the step it was seen at */
    size_t best_step;
    int    early;            /* stopped by patience */
} nrx_net_train_info;

/* Trains by Adam; the weights stay on their constraints. On an error or when cancelled the weights of the
   last good step remain. L2, L1; proximal matching 1 - exp(-rms^2/gamma^2) (Fang, Buchanan, Sulam, ICLR
   2024); adversarial critic with gradient penalty (Lunz, Oktem, Schonlieb, NeurIPS 2018). */
NRX_DEF nrx_status nrx_net_train(nrx_net *net, const nrx_net_train_desc *desc, nrx_net_train_info *info);
/* Score matching: L2 loss of the denoiser y - grad R(y) on a stack of images [count][height][width]. desc may
   be NULL. */
NRX_DEF nrx_status nrx_net_train_scores(nrx_net *net, const float *images, size_t count, size_t height,
    size_t width, const nrx_net_train_desc *desc, nrx_net_train_info *info);


/* ==== more ready-made networks ==== */

/* one descriptor for the convolutional families below; zero fields take each family's defaults */
typedef struct nrx_net_cnn_desc {
    size_t inputs, outputs;  /* channels; 0 = 1 */
    size_t channels;         /* of the finest scale */
    size_t layers;           /* DnCNN, critics: convolutions; U-Net: convolutions per block */
    size_t scales;           /* U-Net, DRUNet, TDV: levels */
    size_t blocks;           /* TDV: macro-blocks */
    int    activation;       /* NRX_NET_*; 0 = the family's own */
    int    padding;
    int    residual;         /* U-Net: +1 = the output is added to the input, -1 = not; 0 = +1 */
    /* 1 = group norm (one group) after convolutions, 2 = batch norm with stored statistics */
    int    norm;
    int    noise_map;        /* 1 = the last input channel is a noise-level map, not part of the image */
    double init_scale;       /* factor on the last layer's initial weights; 0 = 1 */
    uint64_t seed;
    nrx_env  env;
} nrx_net_cnn_desc;

/* U-Net (Ronneberger et al. 2015; as FBPConvNet, Jin et al. 2017): max pooling down, transposed convolutions
   up, concatenated skips. Defaults 16 channels, 3 scales, 2 convolutions per block, ReLU, residual. Height
   and width must be divisible by 2^(scales-1). */
NRX_DEF nrx_status nrx_net_unet(const nrx_net_cnn_desc *desc, nrx_net **net);
/* DnCNN (Zhang et al. 2017): x - net(x); defaults 17 layers of 64 channels, ReLU. */
NRX_DEF nrx_status nrx_net_dncnn(const nrx_net_cnn_desc *desc, nrx_net **net);
/* DRUNet-light (Zhang et al. 2021; Hurault et al. 2022): residual blocks, strided convolutions, additive
   skips, ELU, noise map; defaults 16 channels, 3 scales, 2 blocks. */
NRX_DEF nrx_status nrx_net_drunet(const nrx_net_cnn_desc *desc, nrx_net **net);
/* Gradient-step denoiser potential g(x) = |x - N(x)|^2/2 with a DRUNet-light N (Hurault et al., ICLR 2022);
   least-squares residual (LSR) is the same form. Denoiser: x - grad g. Train with NRX_NET_PREDICT_STEP. */
NRX_DEF nrx_status nrx_net_gradient_step(const nrx_net_cnn_desc *desc, nrx_net **net);
/* NETT (Li et al. 2020): R(x) = |N(x)|^2 with a plain CNN N; defaults 6 layers of 32 channels, CELU(10). */
NRX_DEF nrx_status nrx_net_nett(const nrx_net_cnn_desc *desc, nrx_net **net);
/* Adversarial critics (Lunz et al. 2018): nrx_net_ar is convolutions with strides 1 1 2 1 2 1..., then a
   spatial mean and two dense layers; nrx_net_lar the local one (Prost et al. 2021): valid 3 x 3 convolutions
   with SiLU and the mean over all patches. */
NRX_DEF nrx_status nrx_net_ar(const nrx_net_cnn_desc *desc, nrx_net **net);
NRX_DEF nrx_status nrx_net_lar(const nrx_net_cnn_desc *desc, nrx_net **net);
/* Total deep variation (Kobler et al., CVPR 2020) in the form of arXiv 2510.01755: sum of (w^T N(Kx))^2/(2c),
   K zero-mean, N `blocks` macro-blocks of `scales` scales; defaults 16 channels, 2 blocks, 3 scales, softplus
   - log 2. */
NRX_DEF nrx_status nrx_net_tdv(const nrx_net_cnn_desc *desc, nrx_net **net);
/* Difference of two input-convex networks (arXiv 2502.00240); with smooth activations it is weakly convex. */
NRX_DEF nrx_status nrx_net_idcnn(const nrx_net_icnn_desc *desc, nrx_net **net);

typedef struct nrx_net_lpn_desc {
    size_t inputs, features, layers; /* dense: 0 = 1 input, 64 features, 2 layers */
    double beta, strong;             /* softplus(beta t)/beta, 0 = 10; + strong/2 |x|^2, 0 = 1e-6 */
    uint64_t seed;
    nrx_env  env;
} nrx_net_lpn_desc;

/* Learned proximal network (Fang, Buchanan, Sulam, ICLR 2024): a smooth input-convex potential psi whose
   gradient is the proximal map; here dense. Train with NRX_NET_PREDICT_GRADIENT and NRX_NET_LOSS_PROXIMAL;
   for images take nrx_net_icnn with activation softplus, sum and quadratic. */
NRX_DEF nrx_status nrx_net_lpn(const nrx_net_lpn_desc *desc, nrx_net **net);
/* The prior behind f = grad psi at the points x (each of the network's input size, one sample at a time):
   solves f(y) = x by Newton-free gradient steps on psi(y) - <x, y> and gives R(x) = <y, x> - |x|^2/2 - psi(y)
   (Gribonval and Nikolova 2020). */
NRX_DEF nrx_status nrx_net_lpn_prior(const nrx_net *net, size_t count, const float *x, double tolerance,
    size_t max_iterations, double *prior);

typedef struct nrx_net_unrolled_desc {
    const nrx_linop *op;             /* f32 projector; its norm must be known, or scale given */
    size_t height, width;            /* of the image: op.cols numbers */
    size_t data_height, data_width;  /* of the data: op.rows numbers (views, detectors) */
    double scale;                    /* applied to op and its adjoint; 0 = 1/norm */
    /* 0 = 5 iterations, 16 channels, 5 primal and dual memory channels */
    size_t iterations, channels, memory;
    /* optional approximate inverse (FBP) as operator from data to image, its output is the start */
    const nrx_linop *inverse;
    uint64_t seed;
    nrx_env  env;
} nrx_net_unrolled_desc;

/* Networks from data [1][data_height][data_width] to image [1][height][width], the projector inside and
   trained end to end. Learned primal-dual (Adler and Oktem, IEEE TMI 2018), learned gradient (Adler and Oktem
   2017), learned ISTA with the filters of a convolutional dictionary, and ItNet (Genzel et al. 2022; U-Net,
   then a data step through `inverse`). */
NRX_DEF nrx_status nrx_net_lpd(const nrx_net_unrolled_desc *desc, nrx_net **net);
NRX_DEF nrx_status nrx_net_learned_gradient(const nrx_net_unrolled_desc *desc, nrx_net **net);
NRX_DEF nrx_status nrx_net_itnet(const nrx_net_unrolled_desc *desc, const nrx_net_cnn_desc *unet,
    nrx_net **net);
/* Learned ISTA (Gregor and LeCun 2010): codes z <- soft(z + E A^T (y - A D z), threshold) with a
   convolutional dictionary D of `channels` filters (5 x 5) and an encoder E that starts as its adjoint:
   untrained it is ISTA for |ADz - y|^2/2 + threshold |z|_1 with step 1, A scaled to norm 1 and |D| <= 1.
   Output D z. */
NRX_DEF nrx_status nrx_net_lista(const nrx_net_unrolled_desc *desc, double threshold, nrx_net **net);

/* ACNCR (Shumaylov et al., arXiv 2310.05812): the data-space part R_a(Ax/|A|) with R_a an IWCNN and the image
   part, an ICNN, in one regularizer on images: (R_a + R_b)/2. The energy |Ax-y|^2/2 + lambda R stays convex
   while lambda rho_a/2 <= |A|^2, rho_a the modulus of R_a: certify R_a alone. */
NRX_DEF nrx_status nrx_net_acncr(const nrx_net_unrolled_desc *op, const nrx_net_icnn_desc *data,
    const nrx_net_icnn_desc *image, nrx_net **net);

/* ==== reconstruction ==== */

typedef struct nrx_net_recon_desc {
    /* NRX_SOLVE_*: 0 = accelerated gradient with restart for convex functionals, nmAPG (Li and Lin 2015)
       else */
    int    method;
    size_t max_iter;         /* 0 = 500 */
    double tol;              /* stop when |x_{k+1} - x_k| <= tol |x_{k+1}|; 0 = 1e-5 */
    /* plug-and-play, RED: 0 = 1/|A|^2 (and 1/(|A|^2 + lambda)); the others take it from |A| and the
       certificate */
    double step;
    /* > 0: stop as soon as |grad E| <= this (without bounds: |x - minimiser| <= this/mu) */
    double gradient_tol;
    double lambda;           /* RED: weight of x - D(x) */
    int    nonnegative;
    /* optional, the larger the better (PSNR): only watched, never used to stop */
    double (*measure)(void *user, const float *x);
    void  *measure_user;
    /* with measure: receives the evaluated point where it was largest; NULL = not kept */
    float *best;
    nrx_env env;             /* progress: value is the objective; relative change for plug-and-play and RED */
} nrx_net_recon_desc;

typedef struct nrx_net_recon_info {
    nrx_solve_info solve;    /* iterations, objective, residual, stop reason: nrx_stop_string(solve.stop) */
    double best, final;      /* measure at the best evaluated and at the returned point */
    /* |grad E|/mu >= |x - minimiser| where the energy is mu-strongly convex; negative = no bound */
    double error_bound;
} nrx_net_recon_info;

/* min |Ax - y|^2/2 + R(x) from x (the start, overwritten by the final iterate), R from nrx_net_functional
   with its weight inside. */
NRX_DEF nrx_status nrx_net_reconstruct(const nrx_linop *A, const float *y, const nrx_functional *R,
    float *x, const nrx_net_recon_desc *desc, nrx_net_recon_info *info);
/* Plug-and-play proximal gradient x <- D(x - step A^T(Ax - y)) and regularization by denoising x <- x - step
   (A^T(Ax - y) + lambda (x - D(x))). out never aliases in. Both converge for averaged D;
   nrx_net_linear_denoise gives one with proof. */
typedef nrx_status (*nrx_net_denoiser)(void *user, const float *in, float *out);
NRX_DEF nrx_status nrx_net_pnp(const nrx_linop *A, const float *y, nrx_net_denoiser denoise, void *user,
    float *x, const nrx_net_recon_desc *desc, nrx_net_recon_info *info);
NRX_DEF nrx_status nrx_net_red(const nrx_linop *A, const float *y, nrx_net_denoiser denoise, void *user,
    float *x, const nrx_net_recon_desc *desc, nrx_net_recon_info *info);
/* The spectral filter of a linear denoiser W (symmetric, eigenvalues in (0,1], e.g. a smoother K^T K/|K|^2)
   with weight tau: W (W + tau (1-W))^{-1} v by conjugate gradients, the proximal map of tau J where W is that
   of J (Hauptmann et al., arXiv 2307.09441). work: 4*n floats. Residual 1e-6. */
NRX_DEF nrx_status nrx_net_linear_denoise(nrx_net_denoiser W, void *user, size_t n, double tau,
    const float *v, float *out, float *work);

/* A network as a denoiser for the two calls above: nrx_net_denoise with this `user`. predict as in training;
   sigma: noise level written into the last input channel, 0 = the network has no noise map. */
NRX_DEF nrx_status nrx_net_denoiser_create(const nrx_net *net, size_t height, size_t width, int predict,
    double sigma, const nrx_env *env, void **user);
NRX_DEF nrx_status nrx_net_denoise(void *user, const float *in, float *out);
NRX_DEF void nrx_net_denoiser_free(void *user);

/* The weight that adversarial training suggests (Lunz et al. 2018): mean |A^T (A x - y)| over `count` pairs
   of clean image and data, divided by the largest |grad R(x)| (R NULL: by 1). Search around it. */
NRX_DEF nrx_status nrx_net_noise_weight(const nrx_linop *A, size_t count, const float *clean,
    const float *data, const nrx_functional *R, double *weight);

typedef struct nrx_net_refit_desc {
    const nrx_linop *A;      /* the new operator: other pixel size, dose, views */
    size_t count;            /* slices with known truth; ten are plenty for two numbers */
    const float *data, *truth; /* [count][A->rows], [count][height*width] */
    const float *start;      /* [count][height*width], where each reconstruction starts; NULL = zeros */
    size_t height, width;
    double weight, scale;    /* where the search starts; 0 = what the network has, else 1 */
    double span;             /* half width of the first coarse search, in powers of two; 0 = 4 */
    double accuracy;         /* of the result, in powers of two; 0 = 1/16 */
    size_t max_iter;         /* of each reconstruction; 0 = 300 */
    double tol;              /* of each reconstruction; 0 = 1e-4 */
    int    nonnegative;
    nrx_env env;             /* progress: value is the smallest mean squared error so far */
} nrx_net_refit_desc;

typedef struct nrx_net_refit_info {
    double weight, scale, loss; /* of the best reconstructions: mean squared error */
    size_t evaluations;      /* pairs (weight, scale) that were tried */
    int    at_edge;          /* the search ran into its limits: another start is worth a try */
} nrx_net_refit_info;

/* Fits the two scalars of weight/scale^2 R(scale x) to a new operator by the error of reconstructions
   (comparative study arXiv 2510.01755, section on transfer): a coarse grid, then pattern search with halving
   steps. The result is stored with the network (nrx_net_set_scaling). */
NRX_DEF nrx_status nrx_net_refit(nrx_net *net, const nrx_net_refit_desc *desc, nrx_net_refit_info *info);

/* ==== deployment ==== */

/* y = net(x) on an image of any size by overlapping tiles of about tile x tile pixels: the overlap is the
   network's reach, so the result is that of the whole image up to rounding (about 1e-6 relative; other tile
   sizes, other last bits). Networks that keep the image size, of local layers only; circular padding cannot
   be cut. */
NRX_DEF nrx_status nrx_net_tiled(const nrx_net *net, size_t height, size_t width, size_t tile,
    const float *x, float *y, const nrx_env *env);
/* The reach of one output pixel in input pixels (halo), and the grid on which tiles must start. */
NRX_DEF nrx_status nrx_net_reach(const nrx_net *net, size_t *halo, size_t *grid);
/* A volume [depth][height][width] slice by slice; a network with an odd number 2k+1 of input channels sees k
   neighbours on each side (the ends repeat). Output: one slice per slice. */
NRX_DEF nrx_status nrx_net_slices(const nrx_net *net, size_t depth, size_t height, size_t width,
    const float *x, float *y, const nrx_env *env);
/* The sum of a plane's functional over the slices of a volume, with the same constants; plane must outlive
   it. */
NRX_DEF nrx_status nrx_net_stack_functional(const nrx_functional *plane, size_t depth, const nrx_env *env,
    nrx_functional *stack);
NRX_DEF void nrx_net_stack_functional_free(nrx_functional *stack);

/* Periodic blur with a centred kernel [kh][kw] by Fourier transforms: an exact adjoint, norm = the largest
   modulus of its symbol. One thread per operator. Free it with nrx_net_blur_free. */
NRX_DEF nrx_status nrx_net_blur(size_t height, size_t width, const float *kernel, size_t kh, size_t kw,
    const nrx_env *env, nrx_linop *op);
NRX_DEF void nrx_net_blur_free(nrx_linop *op);
/* x = (A^T A + tau)^{-1} b for such a blur: Wiener filtering, the data step of splitting methods. x may be
   b. */
NRX_DEF nrx_status nrx_net_blur_solve(const nrx_linop *op, double tau, const float *b, float *x);

typedef struct nrx_net_langevin_desc {
    double sigma;            /* of the data's noise: the likelihood is exp(-|Ax-y|^2/(2 sigma^2)); 0 = 1 */
    size_t stages;           /* 0, 1: unadjusted Langevin (ULA); more: SK-ROCK with so many stages */
    double step;             /* 0 = half of the largest stable step */
    size_t samples, burn_in, thin; /* 0 = 1000 kept, samples/10 dropped first, 1 step between kept ones */
    uint64_t seed;
    /* optional: each kept sample; NRX_E_CANCELLED stops */
    nrx_status (*sample)(void *user, size_t k, const float *x);
    void  *sample_user;
    nrx_env env;             /* progress: value is the potential |Ax-y|^2/(2 sigma^2) + R(x) */
} nrx_net_langevin_desc;

typedef struct nrx_net_langevin_info { double step, lip; size_t samples, gradients; } nrx_net_langevin_info;

/* Samples of the posterior exp(-|Ax-y|^2/(2 sigma^2) - R(x)) for a certified convex R with known Lipschitz
   constant: X - d grad U(X) + sqrt(2 d) Z, or the stochastic Runge-Kutta-Chebyshev scheme of Pereyra, Vargas
   Mieles and Zygalakis (SIAM J. Imaging Sci. 2020), stable to d = ((s-1/2)^2 (2 - 4/3 0.05) - 3/2)/L. Both
   are biased by O(d). x: the start, then the last state; mean and variance per pixel may be NULL. */
NRX_DEF nrx_status nrx_net_langevin(const nrx_linop *A, const float *y, const nrx_functional *R, float *x,
    float *mean, float *variance, const nrx_net_langevin_desc *desc, nrx_net_langevin_info *info);

/* ==== bilevel learning ==== */

typedef struct nrx_net_hyper_desc {
    size_t height, width;
    double weight;           /* lower level |Ax - y|^2/2 + weight R(x); 0 = 1 */
    double tol;              /* of the linear solve, relative residual; 0 = 1e-6 */
    size_t max_iter;         /* 0 = 500 */
    /* 1 = JFB: the Hessian is replaced by L, one extra gradient step is differentiated */
    int    jacobian_free;
    nrx_env env;
} nrx_net_hyper_desc;

typedef struct nrx_net_hyper_info {
    size_t iterations;
    double residual;         /* of the linear solve, relative */
    double curvature;        /* smallest <p,Hp>/<p,p> met */
    double solution;         /* |q| */
} nrx_net_hyper_info; /* smallest <p,Hp>/<p,p> met */

/* grad (as nrx_net_grad) += d loss(x(theta))/d theta at the lower-level minimiser x, gx = the loss gradient
   there: solves (A^T A + weight R'') q = gx by conjugate gradients, then adds -weight d<q, grad R>/d theta
   (implicit function theorem; MAID, arXiv 2308.10098, bounds its error). Hessians that turn out indefinite
   give NRX_E_NUMERIC. */
NRX_DEF nrx_status nrx_net_hypergradient(const nrx_net *net, const nrx_linop *A, const float *x,
    const float *gx, float *grad, const nrx_net_hyper_desc *desc, nrx_net_hyper_info *info);

typedef struct nrx_net_maid_desc {
    const nrx_linop *A;
    size_t count;            /* training pairs */
    /* [count][A->rows], [count][height*width]; truth NULL with a loss of your own */
    const float *data, *truth;
    size_t height, width;
    double weight;           /* lower level |Ax - y|^2/2 + weight R(x); 0 = 1 */
    double mu;               /* strong convexity of the lower level; 0 = weight times the certificate's */
    /* upper level; NULL = |x - truth|^2/2 */
    double (*loss)(void *user, size_t pair, const float *x, float *gx);
    void  *loss_user;
    double loss_lip;         /* Lipschitz constant of gx; 0 = 1 */
    double accuracy, step;   /* first accuracy of both solves and first step; 0 = 0.1, 0.1 */
    double tol;              /* stop when |hypergradient| <= tol times the first one; 0 = 1e-4 */
    size_t max_iter, max_lower; /* 0 = 200 upper steps, 2000 iterations of one lower solve */
    nrx_env env;             /* progress: value is the loss */
} nrx_net_maid_desc;

typedef struct nrx_net_maid_info {
    size_t iterations, lower_solves, backtracks;
    double first_loss, loss, gradient, accuracy, step;
    int    stop;             /* NRX_STOP_TOL, _MAX_ITER, _STALLED (f32 cannot do better), _CANCELLED */
} nrx_net_maid_info;

/* Method of adaptive inexact descent (Salehi, Mukherjee, Roberts, Ehrhardt, arXiv 2308.10098): learns all
   parameters that are not frozen by minimising the mean upper-level loss at inexact lower-level solutions;
   the accuracies of the lower and of the linear solve follow from a bound of the hypergradient's error (|J|
   taken as |J^T q|/|q|, the Hessian as constant over one accuracy ball), the step from a line search that
   holds for inexact values. */
NRX_DEF nrx_status nrx_net_maid(nrx_net *net, const nrx_net_maid_desc *desc, nrx_net_maid_info *info);

/* ==== checkpoints ==== */

/* Named f32 tensors read from bytes: safetensors; PyTorch .pt/.pth state dictionaries (zip, or the legacy
   pickle stream) through an interpreter that knows 29 opcodes and three constructors and can execute nothing;
   .npz. f16, bf16, f64 and integers are converted. */
typedef struct nrx_net_checkpoint nrx_net_checkpoint;
typedef struct nrx_net_weight {
    const char *name;
    size_t shape[8];
    int    ndim;
    size_t count;
    const float *data;
} nrx_net_weight;

NRX_DEF nrx_status nrx_net_checkpoint_read(const void *bytes, size_t size, const nrx_env *env,
    nrx_net_checkpoint **checkpoint);
NRX_DEF void   nrx_net_checkpoint_free(nrx_net_checkpoint *checkpoint);
NRX_DEF size_t nrx_net_checkpoint_count(const nrx_net_checkpoint *checkpoint);
NRX_DEF const nrx_net_weight *nrx_net_checkpoint_at(const nrx_net_checkpoint *checkpoint, size_t index);
/* NULL when missing */
NRX_DEF const nrx_net_weight *nrx_net_checkpoint_find(const nrx_net_checkpoint *checkpoint, const char *name);
/* of safetensors; NULL when missing */
NRX_DEF const char *nrx_net_checkpoint_meta(const nrx_net_checkpoint *checkpoint, const char *key);

typedef struct nrx_net_load_desc {
    /* CRR and WCRR files have the same keys: 1 = weakly convex, -1 = convex, 0 = by the letters "WCRR" in the
       path */
    int weakly_convex;
    int padding;         /* NRX_NET_PAD_* for architectures whose file does not say */
    nrx_env env;
} nrx_net_load_desc;

/* A network from a checkpoint: one written by nrx_net_save comes back with its graph; else the architecture
   is recognised by its keys (CRR/WCRR, ICNN, IDCNN, LAR, TDV, NETT of johertrich/LearnedRegularizers; ACR
   of Subhadip-1/data_driven_convex_regularization), parametrizations and the operator scaling (alpha, scale)
   included. TDV needs image sides that are multiples of 2^(scales - 1), as published of 4. Wrong shapes, missing keys and non-finite weights are refused by name. */
NRX_DEF nrx_status nrx_net_load_checkpoint(const nrx_net_checkpoint *checkpoint,
    const nrx_net_load_desc *desc, nrx_net **net);
/* Fills the parameters of an existing network by name from a checkpoint; all must be there, in their shapes.
   prefix ("" or NULL = none) is put before each name. */
NRX_DEF nrx_status nrx_net_load_weights(nrx_net *net, const nrx_net_checkpoint *checkpoint,
    const char *prefix);

/* The network as safetensors bytes with the graph in the metadata (free with nrx_net_free_bytes). state and
   step: see nrx_net_train_desc (NULL, 0 = weights only). Operator layers cannot be saved: give them again and
   use nrx_net_load_weights. */
NRX_DEF nrx_status nrx_net_save_bytes(const nrx_net *net, const float *state, size_t step,
    unsigned char **bytes, size_t *size);
NRX_DEF void nrx_net_free_bytes(const nrx_net *net, unsigned char *bytes);
/* Adam's state and the step from a checkpoint with them; state has 2*nrx_net_param_count() numbers. */
NRX_DEF nrx_status nrx_net_load_state(const nrx_net *net, const nrx_net_checkpoint *checkpoint,
    float *state, size_t *step);
/* Stores with the network the weight and scale that suit an operator (found on validation data):
   nrx_net_functional uses them when its descriptor says 0, files keep them. */
NRX_DEF void nrx_net_set_scaling(nrx_net *net, double weight, double scale);
NRX_DEF void nrx_net_scaling(const nrx_net *net, double *weight, double *scale);

#ifndef NRX_NO_STDIO
NRX_DEF nrx_status nrx_net_checkpoint_open(const char *path, const nrx_env *env,
    nrx_net_checkpoint **checkpoint);
/* .safetensors */
NRX_DEF nrx_status nrx_net_save(const nrx_net *net, const char *path);
NRX_DEF nrx_status nrx_net_load(const char *path, const nrx_net_load_desc *desc, nrx_net **net);
NRX_DEF nrx_status nrx_net_save_state(const nrx_net *net, const float *state, size_t step, const char *path);
/* The safetensors bytes as a C array `static const unsigned char NAME[]`, for machines without files
   (nrx_net_checkpoint_read reads it). */
NRX_DEF nrx_status nrx_net_write_c(const nrx_net *net, const char *path, const char *name);
/* Prints name, shape, smallest and largest entry of each tensor, and the count. */
NRX_DEF void nrx_net_checkpoint_print(const nrx_net_checkpoint *checkpoint, FILE *to);
#endif

#ifdef __cplusplus
}
#endif
#endif /* NRX_NETS_H */

#if (defined(NRX_NETS_IMPLEMENTATION) || defined(NRX_IMPLEMENTATION) || defined(NRX_STATIC)) && !defined(NRX_NETS_IMPL_DONE_)
#define NRX_NETS_IMPL_DONE_
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

/* ---- private types ---- */

enum { /* layer kinds */
    NRXI_NET_INPUT, NRXI_NET_CONV, NRXI_NET_CONVT, NRXI_NET_DENSE, NRXI_NET_ACT, NRXI_NET_RIDGE,
        NRXI_NET_SPLINE, NRXI_NET_BIAS, NRXI_NET_ADD,
        NRXI_NET_GAIN, NRXI_NET_MUL,
    NRXI_NET_CONCAT, NRXI_NET_SLICE, NRXI_NET_AVGPOOL, NRXI_NET_MAXPOOL, NRXI_NET_SUM, NRXI_NET_MEAN,
        NRXI_NET_SPATIAL_MEAN, NRXI_NET_RESIZE,
        NRXI_NET_GROUPNORM,
    NRXI_NET_BATCHNORM, NRXI_NET_OPERATOR, NRXI_NET_GRID, NRXI_NET_SPECTRAL /* files know these numbers */
};

typedef struct nrxi_net_param {
    char   name[64];
    /* rows*cols numbers at theta + offset; shape is what checkpoints say */
    size_t offset, rows, cols, shape[4];
    int    ndim, constraint, transform;  /* NRX_NONNEGATIVE ...; NRX_NET_W_ZERO_MEAN, _EXP, _SOFTPLUS or 0 */
    int    frozen;                       /* statistics: saved, never trained */
    double rate;
} nrxi_net_param;

typedef struct nrxi_net_layer {
    int    kind, in[2];      /* in[1] = -1 when there is one input */
    int    param[4];         /* indices, -1 = none: weight, bias, ... */
    size_t channels;         /* of the output */
    size_t kh, kw, stride, dilation, groups, pad_y, pad_x, out_pad;
    int    padding;
    int    act;
    double a, b;
    size_t knots, first;
    nrx_linop op;
    int    adjoint;
    size_t op_h, op_w;
    char   name[40];
} nrxi_net_layer;

struct nrx_net {
    nrx_env     env;
    nrx_rng     rng;
    nrx_status  status;
    nrxi_net_layer *layer;
    size_t      layers, layer_room;
    nrxi_net_param *param;
    size_t      params, param_room;
    float      *theta, *grad;
    size_t      count, theta_room;
    int         output;      /* node, or -1 = the last */
    double      user_scale, user_weight;
    /* stored with checkpoints: scaling of the regularizer found on validation data */
    char        arch[24];
};

typedef struct nrxi_net_map { /* one node's feature maps in a plan */
    size_t c, h, w, size;    /* size = c*h*w per sample */
    size_t val, tan, adj, tadj; /* offsets in floats */
} nrxi_net_map;

struct nrx_net_plan {
    const nrx_net *net;
    nrx_env   env;
    size_t    n;
    size_t    batch;                   /* > 0: a network of dense layers; maps are [c][1][batch] and n = 1 */
    int       mode, owned, output;
    /* what the workspace holds: values, tangents, adjoints seeded with ones */
    int       ran, tangent_ran, ones;
    nrxi_net_map *map;
    unsigned char *has, *thas;         /* adjoint (of the tangent) of this node has been written */
    size_t   *off;                     /* tap offsets of the widest convolution */
    float    *base, *scratch, *packed, *gw, *weff;
    size_t    floats, scratch_size, packed_size, off_size, gw_size;
};

/* Kernels with AVX2, chosen at run time; not where scalars have excess precision (32-bit x87), which cannot
   mix with vectors. */
#if defined(NRXI_X86) && (!defined(__FLT_EVAL_METHOD__) || __FLT_EVAL_METHOD__ == 0)
#define NRXI_NET_X86 1
#endif

#define NRXI_NET_SLACK 32u /* floats after every buffer: vector loads may run past the end of a row */

/* ---- convolution kernels ----
   All convolutions run on one pattern: out[c][x] += sum over taps t of w[t][c] * in[off[t] + x], four output
      channels at a time.
   Padding is copied in, strides are split into phases, dilation and groups live in the offset table, so taps
   are all
      there is. */

typedef struct nrxi_net_conv {
    size_t n, groups, ci, co, kh, kw, stride, dil, pad_y, pad_x; /* ci, co: all groups together */
    int    mode;
    /* pws: columns of one phase; row = stride*pws: floats per padded row */
    size_t h, w, ph, pw, pws, row, oh, ow;
} nrxi_net_conv;

static const float nrxi_net_zeros[4] = {0, 0, 0, 0};

/* start: four numbers that the sums begin with, NULL = what is in out. */
NRXI_FN void nrxi_net_tap4_plain(size_t taps, const size_t *off, const float *w, const float *in,
    size_t width, float *const *out, size_t count, const float *start)
{
    size_t x, t, c;
    for (x = 0; x < width; x += 16) {
        float acc[4][16];
        size_t m = width - x < 16 ? width - x : 16, j;
        for (c = 0; c < 4; c++)
            for (j = 0; j < 16; j++) acc[c][j] = c >= count || j >= m ? 0.0f : start ? start[c]
                : out[c][x + j];
        for (t = 0; t < taps; t++) {
            const float *p = in + off[t] + x;
            for (c = 0; c < 4; c++) {
                float k = w[4 * t + c];
                for (j = 0; j < 16; j++) acc[c][j] += k * p[j];
            }
        }
        for (c = 0; c < count; c++)
            for (j = 0; j < m; j++) out[c][x + j] = acc[c][j];
    }
}

#if defined(NRXI_NET_X86)
#define NRXI_NET_LD(p) (*(const nrxi_f32x8u *)(const void *)(p))
#define NRXI_NET_ST(p, v) (*(nrxi_f32x8u *)(void *)(p) = (v))
/* Three (two, one) vectors of eight columns, four channels: 12 accumulators, 3 loads, 4 broadcasts per
   tap. */
NRXI_AVX2 NRXI_FN void nrxi_net_tap4_avx2(size_t taps, const size_t *off, const float *w, const float *in,
    size_t width, float *const *out, size_t count, const float *start)
{
    const nrxi_f32x8 zero = {0, 0, 0, 0, 0, 0, 0, 0};
    float tail[4][24]; /* stands in for missing channels and for the end of a row */
    size_t x, t, c, step;
    for (x = 0; x < width; x += step) {
        size_t left = width - x;
        float *o[4];
        const float *wt = w;
        nrxi_f32x8 a0, a1, a2, b0, b1, b2, c0, c1, c2, d0, d1, d2, k;
        step = left >= 40 || left == 24 ? 24 : left >= 16 ? 16 : 8;
        for (c = 0; c < 4; c++) {
            o[c] = c < count && left >= step ? out[c] + x : tail[c];
            if (o[c] == tail[c] && !start) {
                memset(tail[c], 0, step * sizeof(float));
                if (c < count) memcpy(tail[c], out[c] + x, (left < step ? left : step) * sizeof(float));
            }
        }
        if (start) {
            a0 = a1 = a2 = start[0] + zero;
            b0 = b1 = b2 = start[1] + zero;
            c0 = c1 = c2 = start[2] + zero;
            d0 = d1 = d2 = start[3] + zero;
        } else {
            a0 = a1 = a2 = NRXI_NET_LD(o[0]); b0 = b1 = b2 = NRXI_NET_LD(o[1]);
            c0 = c1 = c2 = NRXI_NET_LD(o[2]); d0 = d1 = d2 = NRXI_NET_LD(o[3]);
            if (step > 8) {
                a1 = NRXI_NET_LD(o[0] + 8); b1 = NRXI_NET_LD(o[1] + 8);
                c1 = NRXI_NET_LD(o[2] + 8); d1 = NRXI_NET_LD(o[3] + 8);
            }
            if (step > 16) {
                a2 = NRXI_NET_LD(o[0] + 16); b2 = NRXI_NET_LD(o[1] + 16);
                c2 = NRXI_NET_LD(o[2] + 16); d2 = NRXI_NET_LD(o[3] + 16);
            }
        }
        if (step == 24) {
            for (t = 0; t < taps; t++, wt += 4) {
                const float *p = in + off[t] + x;
                nrxi_f32x8 x0 = NRXI_NET_LD(p), x1 = NRXI_NET_LD(p + 8), x2 = NRXI_NET_LD(p + 16);
                k = wt[0] + zero; a0 += k * x0; a1 += k * x1; a2 += k * x2;
                k = wt[1] + zero; b0 += k * x0; b1 += k * x1; b2 += k * x2;
                k = wt[2] + zero; c0 += k * x0; c1 += k * x1; c2 += k * x2;
                k = wt[3] + zero; d0 += k * x0; d1 += k * x1; d2 += k * x2;
            }
            NRXI_NET_ST(o[0] + 16, a2); NRXI_NET_ST(o[1] + 16, b2);
            NRXI_NET_ST(o[2] + 16, c2); NRXI_NET_ST(o[3] + 16, d2);
        } else if (step == 16) {
            for (t = 0; t < taps; t++, wt += 4) {
                const float *p = in + off[t] + x;
                nrxi_f32x8 x0 = NRXI_NET_LD(p), x1 = NRXI_NET_LD(p + 8);
                k = wt[0] + zero; a0 += k * x0; a1 += k * x1;
                k = wt[1] + zero; b0 += k * x0; b1 += k * x1;
                k = wt[2] + zero; c0 += k * x0; c1 += k * x1;
                k = wt[3] + zero; d0 += k * x0; d1 += k * x1;
            }
        } else {
            for (t = 0; t < taps; t++, wt += 4) {
                nrxi_f32x8 x0 = NRXI_NET_LD(in + off[t] + x);
                a0 += (wt[0] + zero) * x0; b0 += (wt[1] + zero) * x0;
                c0 += (wt[2] + zero) * x0; d0 += (wt[3] + zero) * x0;
            }
        }
        NRXI_NET_ST(o[0], a0); NRXI_NET_ST(o[1], b0); NRXI_NET_ST(o[2], c0); NRXI_NET_ST(o[3], d0);
        if (step > 8) {
            NRXI_NET_ST(o[0] + 8, a1); NRXI_NET_ST(o[1] + 8, b1);
            NRXI_NET_ST(o[2] + 8, c1); NRXI_NET_ST(o[3] + 8, d1);
        }
        for (c = 0; c < count; c++)
            if (o[c] == tail[c]) memcpy(out[c] + x, tail[c], (left < step ? left : step) * sizeof(float));
    }
}

/* One output channel, four vectors. w keeps the stride of four. */
NRXI_AVX2 NRXI_FN void nrxi_net_tap1_avx2(size_t taps, const size_t *off, const float *w, const float *in,
    size_t width, float *out, const float *start)
{
    const nrxi_f32x8 zero = {0, 0, 0, 0, 0, 0, 0, 0};
    float *rest, four[4] = {0, 0, 0, 0};
    size_t x, t;
    for (x = 0; x + 32 <= width; x += 32) {
        nrxi_f32x8 a0, a1, a2, a3;
        if (start) a0 = a1 = a2 = a3 = start[0] + zero;
        else {
            a0 = NRXI_NET_LD(out + x); a1 = NRXI_NET_LD(out + x + 8);
            a2 = NRXI_NET_LD(out + x + 16); a3 = NRXI_NET_LD(out + x + 24);
        }
        for (t = 0; t < taps; t++) {
            const float *p = in + off[t] + x;
            nrxi_f32x8 k = w[4 * t] + zero;
            a0 += k * NRXI_NET_LD(p); a1 += k * NRXI_NET_LD(p + 8);
            a2 += k * NRXI_NET_LD(p + 16); a3 += k * NRXI_NET_LD(p + 24);
        }
        NRXI_NET_ST(out + x, a0); NRXI_NET_ST(out + x + 8, a1);
        NRXI_NET_ST(out + x + 16, a2); NRXI_NET_ST(out + x + 24, a3);
    }
    rest = out + x;
    if (start) four[0] = start[0];
    if (x < width) nrxi_net_tap4_avx2(taps, off, w, in + x, width - x, &rest, 1, start ? four : NULL);
}
#endif

NRXI_FN void nrxi_net_tap4(size_t taps, const size_t *off, const float *w, const float *in, size_t width,
    float *const *out, size_t count, const float *start)
{
#if defined(NRXI_NET_X86)
    if (nrxi_cpu_avx2()) {
        if (count == 1) nrxi_net_tap1_avx2(taps, off, w, in, width, out[0], start);
        else nrxi_net_tap4_avx2(taps, off, w, in, width, out, count, start);
        return;
    }
#endif
    nrxi_net_tap4_plain(taps, off, w, in, width, out, count, start);
}

/* dot[c][t] += sum over x of g[c][x] * in[off[t] + x] for up to four channels c (rows of g) and three taps
   t. */
NRXI_FN void nrxi_net_dots_plain(const size_t *off, size_t taps, const float *in, const float *const *g,
    size_t count, size_t width, float dot[4][3])
{
    size_t c, t, x;
    for (c = 0; c < count; c++)
        for (t = 0; t < taps; t++) {
            const float *p = in + off[t], *q = g[c];
            float s = 0.0f;
            for (x = 0; x < width; x++) s += q[x] * p[x];
            dot[c][t] += s;
        }
}

#if defined(NRXI_NET_X86)
/* The same over `rows` rows: in moves by in_row, g by g_row. */
NRXI_AVX2 NRXI_FN void nrxi_net_dots_avx2(const size_t *off, const float *in, size_t in_row,
    const float *const *g, size_t g_row, size_t rows, size_t width, float dot[4][3])
{
    const nrxi_f32x8 z = {0, 0, 0, 0, 0, 0, 0, 0};
    nrxi_f32x8 a0 = z, a1 = z, a2 = z, b0 = z, b1 = z, b2 = z, c0 = z, c1 = z, c2 = z, d0 = z, d1 = z, d2 = z,
        acc[12];
    const float *i0 = in + off[0], *i1 = in + off[1], *i2 = in + off[2], *g0 = g[0], *g1 = g[1], *g2 = g[2],
        *g3 = g[3];
    size_t r, x, c, t, whole = width - width % 8;
    for (r = 0; r < rows; r++) {
        for (x = 0; x < whole; x += 8) {
            nrxi_f32x8 x0 = NRXI_NET_LD(i0 + x), x1 = NRXI_NET_LD(i1 + x), x2 = NRXI_NET_LD(i2 + x), k;
            k = NRXI_NET_LD(g0 + x); a0 += k * x0; a1 += k * x1; a2 += k * x2;
            k = NRXI_NET_LD(g1 + x); b0 += k * x0; b1 += k * x1; b2 += k * x2;
            k = NRXI_NET_LD(g2 + x); c0 += k * x0; c1 += k * x1; c2 += k * x2;
            k = NRXI_NET_LD(g3 + x); d0 += k * x0; d1 += k * x1; d2 += k * x2;
        }
        for (; x < width; x++) {
            dot[0][0] += g0[x] * i0[x]; dot[0][1] += g0[x] * i1[x]; dot[0][2] += g0[x] * i2[x];
            dot[1][0] += g1[x] * i0[x]; dot[1][1] += g1[x] * i1[x]; dot[1][2] += g1[x] * i2[x];
            dot[2][0] += g2[x] * i0[x]; dot[2][1] += g2[x] * i1[x]; dot[2][2] += g2[x] * i2[x];
            dot[3][0] += g3[x] * i0[x]; dot[3][1] += g3[x] * i1[x]; dot[3][2] += g3[x] * i2[x];
        }
        i0 += in_row; i1 += in_row; i2 += in_row;
        g0 += g_row; g1 += g_row; g2 += g_row; g3 += g_row;
    }
    acc[0] = a0; acc[1] = a1; acc[2] = a2; acc[3] = b0; acc[4] = b1; acc[5] = b2;
    acc[6] = c0; acc[7] = c1; acc[8] = c2; acc[9] = d0; acc[10] = d1; acc[11] = d2;
    for (c = 0; c < 4; c++)
        for (t = 0; t < 3; t++) {
            nrxi_f32x8 v = acc[3 * c + t];
            dot[c][t] += ((v[0] + v[4]) + (v[1] + v[5])) + ((v[2] + v[6]) + (v[3] + v[7]));
        }
}
#endif

/* Index in 0 .. n-1 that stands at position i of the continued signal; n = outside (zero). */
NRXI_FN size_t nrxi_net_pad_index(ptrdiff_t i, size_t n, int mode)
{
    ptrdiff_t m = (ptrdiff_t)n, period;
    if (i >= 0 && i < m) return (size_t)i;
    switch (mode) {
    case NRX_NET_PAD_CIRCULAR: i %= m; return (size_t)(i < 0 ? i + m : i);
    case NRX_NET_PAD_REFLECT:
        if (m == 1) return 0;
        period = 2 * (m - 1);
        i %= period;
        if (i < 0) i += period;
        return (size_t)(i < m ? i : period - i);
    case NRX_NET_PAD_REPLICATE: return i < 0 ? 0 : n - 1;
    default: return n;
    }
}

/* Copies one image into its padded, phase-split form [ph][stride][pws]. */
NRXI_FN void nrxi_net_pad_image(const nrxi_net_conv *g, const float *x, float *p)
{
    size_t r, c, s = g->stride;
    for (r = 0; r < g->ph; r++, p += g->row) {
        size_t from = nrxi_net_pad_index((ptrdiff_t)r - (ptrdiff_t)g->pad_y, g->h, g->mode);
        const float *row = x + from * g->w;
        if (from == g->h) { memset(p, 0, g->row * sizeof(float)); continue; }
        if (s == 1) {
            for (c = 0; c < g->pad_x; c++) {
                size_t k = nrxi_net_pad_index((ptrdiff_t)c - (ptrdiff_t)g->pad_x, g->w, g->mode);
                p[c] = k < g->w ? row[k] : 0.0f;
            }
            memcpy(p + g->pad_x, row, g->w * sizeof(float));
            for (c = g->pad_x + g->w; c < g->pw; c++) {
                size_t k = nrxi_net_pad_index((ptrdiff_t)c - (ptrdiff_t)g->pad_x, g->w, g->mode);
                p[c] = k < g->w ? row[k] : 0.0f;
            }
        } else {
            for (c = 0; c < g->pws * s; c++) {
                size_t k = c < g->pw ? nrxi_net_pad_index((ptrdiff_t)c - (ptrdiff_t)g->pad_x, g->w, g->mode)
                    : g->w;
                p[(c % s) * g->pws + c / s] = k < g->w ? row[k] : 0.0f;
            }
        }
    }
}

/* The adjoint: x += what the padded gradient p [ph][pw] says. */
NRXI_FN void nrxi_net_unpad_add(const nrxi_net_conv *g, const float *p, float *x)
{
    size_t r, c;
    for (r = 0; r < g->ph; r++, p += g->pw) {
        size_t to = nrxi_net_pad_index((ptrdiff_t)r - (ptrdiff_t)g->pad_y, g->h, g->mode);
        float *row = x + to * g->w;
        if (to == g->h) continue;
        for (c = 0; c < g->pw; c++) {
            size_t k = nrxi_net_pad_index((ptrdiff_t)c - (ptrdiff_t)g->pad_x, g->w, g->mode);
            if (k < g->w) row[k] += p[c];
        }
    }
}

NRXI_FN int nrxi_net_conv_is_bare(const nrxi_net_conv *g) { return g->stride == 1 && g->ph == g->h
    && g->pw == g->w; }

/* ---- Winograd convolution (Lavin and Gray 2016) for dense 3x3 and 5x5 kernels of stride 1 ----
   With the eight points 0, 1, -1, 2, -2, 1/2, -1/2 and infinity, an 8 x 8 tile gives m x m outputs, m = 9 -
   k: 64
      products instead of m^2 k^2 (324
   for 3x3, 400 for 5x5). Tiles of a row are the vector lanes: the padded image is split into m phases, so
   that every
      load is contiguous. The
   rounding error is about ten times that of the direct sum, 1e-6 to 1e-5 of the largest term. */
#if defined(NRXI_NET_X86)

typedef struct nrxi_net_wino {
    const float *x, *bias;
    /* u: transformed kernels [64][co/4][ci][4]; work: `lanes` times `stride` floats */
    float *y, *u, *work;
    size_t n, ci, co, k, m, h, w, oh, ow, tw, th, twp, row, pws, stride, lanes;
    ptrdiff_t pad_y, pad_x;
    int mode, add;
} nrxi_net_wino;

/* o[i] = B^T d for eight vectors. */
#define NRXI_NET_WINO_IN(d, o)                                                                      \
    do {                                                                                        \
        nrxi_f32x8 a_, b_;                                                                      \
        o[0] = d[0] - d[6] + 5.25f * (d[4] - d[2]);                                             \
        o[7] = d[7] - d[1] + 5.25f * (d[3] - d[5]);                                             \
        a_ = d[2] + d[6] - 4.25f * d[4]; b_ = d[1] + d[5] - 4.25f * d[3];                       \
        o[1] = a_ + b_; o[2] = a_ - b_;                                                         \
        a_ = d[6] + 0.25f * d[2] - 1.25f * d[4]; b_ = 0.5f * d[1] - 2.5f * d[3] + 2.0f * d[5];  \
        o[3] = a_ + b_; o[4] = a_ - b_;                                                         \
        a_ = d[6] + 4.0f * d[2] - 5.0f * d[4]; b_ = 2.0f * d[1] - 2.5f * d[3] + 0.5f * d[5];    \
        o[5] = a_ + b_; o[6] = a_ - b_;                                                         \
    } while (0)

/* r[0 .. m-1] = A^T e, m = 4 or 6. */
#define NRXI_NET_WINO_OUT(e, r, m)                                                                             \
    do {                                                                                                   \
        nrxi_f32x8 s1_ = e[1] + e[2], d1_ = e[1] - e[2], s2_ = e[3] + e[4], d2_ = e[3] - e[4];             \
        nrxi_f32x8 s3_ = e[5] + e[6], d3_ = e[5] - e[6];                                                   \
        r[0] = e[0] + s1_ + s2_ + s3_;                                                                     \
        r[1] = d1_ + 2.0f * d2_ + 0.5f * d3_;                                                              \
        r[2] = s1_ + 4.0f * s2_ + 0.25f * s3_;                                                             \
        r[3] = d1_ + 8.0f * d2_ + 0.125f * d3_;                                                            \
        if ((m) == 4) r[3] += e[7];                                                                        \
        else {                                                                                             \
            r[4] = s1_ + 16.0f * s2_ + 0.0625f * s3_;                                                      \
            r[5] = d1_ + 32.0f * d2_ + 0.03125f * d3_ + e[7];                                              \
        }                                                                                                  \
    } while (0)

/* Row `y` of one channel, padded and split into m phases of pws columns. */
NRXI_FN void nrxi_net_wino_row(const nrxi_net_wino *q, const float *x, ptrdiff_t y, float *p)
{
    size_t from = nrxi_net_pad_index(y, q->h, q->mode), c, r;
    if (y >= (ptrdiff_t)(q->h + q->k) || from == q->h) { memset(p, 0, q->pws * q->m * sizeof *p); return; }
    /* phase r holds columns r, r + m, ...; [t0, t1) lie inside the image */
    for (r = 0; r < q->m; r++, p += q->pws) {
        const float *src = x + from * q->w;
        ptrdiff_t first = (ptrdiff_t)r - q->pad_x, m = (ptrdiff_t)q->m;
        size_t t0 = first < 0 ? (size_t)((-first + m - 1) / m) : 0, t1 = (ptrdiff_t)q->w > first
            ? (size_t)(((ptrdiff_t)q->w - first + m - 1) / m) : 0;
        if (t1 > q->pws) t1 = q->pws;
        if (t0 > t1) t0 = t1;
        for (c = t0; c < t1; c++) p[c] = src[(ptrdiff_t)c * m + first];
        for (c = 0; c < q->pws; c++) {
            ptrdiff_t i;
            size_t at;
            if (c == t0) c = t1;
            if (c >= q->pws) break;
            i = (ptrdiff_t)c * m + first;
            at = i < (ptrdiff_t)(q->w + q->k) ? nrxi_net_pad_index(i, q->w, q->mode) : q->w;
            p[c] = at < q->w ? src[at] : 0.0f;
        }
    }
}

/* One row of tiles of one image. v [64][ci][twp], acc [64][co][twp], rows [8][row], t [8][row] */
NRXI_AVX2 NRXI_FN void nrxi_net_wino_tiles(const nrxi_net_wino *q, size_t n, size_t ty, float *work,
    size_t *off)
{
    size_t c, f, i, j, x, m = q->m, twp = q->twp, pws = q->pws, row = q->row, blocks = (q->co + 3) / 4, b;
    float *v = work, *acc = v + 64 * q->ci * twp, *rows = acc + 64 * q->co * twp, *t = rows + 8 * row;
    for (c = 0; c < q->ci; c++) {
        const float *img = q->x + (n * q->ci + c) * q->h * q->w;
        for (i = 0; i < 8; i++) nrxi_net_wino_row(q, img, (ptrdiff_t)(ty * m + i) - q->pad_y, rows + i * row);
        for (x = 0; x < row; x += 8) {
            nrxi_f32x8 d[8], o[8];
            for (i = 0; i < 8; i++) d[i] = NRXI_NET_LD(rows + i * row + x);
            NRXI_NET_WINO_IN(d, o);
            for (i = 0; i < 8; i++) NRXI_NET_ST(t + i * row + x, o[i]);
        }
        for (i = 0; i < 8; i++)
            for (x = 0; x < twp; x += 8) {
                nrxi_f32x8 d[8], o[8];
                for (j = 0; j < 8; j++) d[j] = NRXI_NET_LD(t + i * row + j % m * pws + j / m + x);
                NRXI_NET_WINO_IN(d, o);
                for (j = 0; j < 8; j++) NRXI_NET_ST(v + ((i * 8 + j) * q->ci + c) * twp + x, o[j]);
            }
    }
    for (c = 0; c < q->ci; c++) off[c] = c * twp;
    for (f = 0; f < 64; f++)
        for (b = 0; b < blocks; b++) {
            size_t count = q->co - 4 * b < 4 ? q->co - 4 * b : 4;
            float *out[4];
            for (i = 0; i < 4; i++) out[i] = acc + (f * q->co + 4 * b + (i < count ? i : 0)) * twp;
            nrxi_net_tap4(q->ci, off, q->u + (f * blocks + b) * q->ci * 4, v + f * q->ci * twp, twp, out,
                count, nrxi_net_zeros);
        }
    for (c = 0; c < q->co; c++) {
        float *img = q->y + (n * q->co + c) * q->oh * q->ow, bias = q->bias ? q->bias[c] : 0.0f, flat[48];
        for (x = 0; x < twp; x += 8) {
            nrxi_f32x8 e[8], r[6], half[6][8], o[6];
            for (j = 0; j < 8; j++) {
                for (i = 0; i < 8; i++) e[i] = NRXI_NET_LD(acc + ((i * 8 + j) * q->co + c) * twp + x);
                NRXI_NET_WINO_OUT(e, r, m);
                for (i = 0; i < m; i++) half[i][j] = r[i];
            }
            for (i = 0; i < m && ty * m + i < q->oh; i++) {
                float *to = img + (ty * m + i) * q->ow;
                NRXI_NET_WINO_OUT(half[i], o, m);
                for (j = 0; j < m; j++) NRXI_NET_ST(flat + 8 * j, o[j]);
                for (j = 0; j < 8 && x + j < q->tw; j++) {
                    size_t px = (x + j) * m, k, end = q->ow - px < m ? q->ow - px : m;
                    if (q->add) for (k = 0; k < end; k++) to[px + k] += flat[8 * k + j];
                    else for (k = 0; k < end; k++) to[px + k] = bias + flat[8 * k + j];
                }
            }
        }
    }
}

NRXI_FN void nrxi_net_wino_lane(void *arg, size_t lane)
{
    const nrxi_net_wino *q = (const nrxi_net_wino *)arg;
    size_t total = q->n * q->th, i, from = total * lane / q->lanes, to = total * (lane + 1) / q->lanes;
    float *work = q->work + lane * q->stride;
    for (i = from; i < to; i++) nrxi_net_wino_tiles(q, i / q->th, i % q->th, work, (size_t *)(void *)(work
        + q->stride) - q->ci);
}

/* Transformed kernels: u[f][co/4][ci][4] = (G w G^T)_f; flip: of the adjoint, w being [ci][co][k][k] turned
   around. */
NRXI_FN void nrxi_net_wino_kernels(const nrxi_net_wino *q, const float *w, int flip)
{
    static const double point[7] = {0, 1, -1, 2, -2, 0.5, -0.5}, factor[7] = {1, -2.0 / 9, -2.0 / 9, 1.0 / 90,
        1.0 / 90, 32.0 / 45, 32.0 / 45};
    double g[8][5], half[8][5];
    size_t i, j, l, o, c, k = q->k, blocks = (q->co + 3) / 4;
    for (i = 0; i < 8; i++) for (j = 0; j < k; j++) g[i][j] = i == 7 ? (j == k - 1 ? 1 : 0)
        : factor[i] * (j == 0 ? 1 : pow(point[i], (double)j));
    memset(q->u, 0, 64 * blocks * q->ci * 4 * sizeof *q->u);
    for (o = 0; o < q->co; o++)
        for (c = 0; c < q->ci; c++) {
            const float *s = w + (flip ? c * q->co + o : o * q->ci + c) * k * k;
            for (i = 0; i < 8; i++) for (j = 0; j < k; j++)
                for (half[i][j] = 0, l = 0; l < k; l++) half[i][j] += g[i][l] * (double)s[flip ? (k - 1 - l)
                    * k + k - 1 - j : l * k + j];
            for (i = 0; i < 8; i++) for (j = 0; j < 8; j++) {
                double v = 0;
                for (l = 0; l < k; l++) v += half[i][l] * g[j][l];
                q->u[(((i * 8 + j) * blocks + o / 4) * q->ci + c) * 4 + o % 4] = (float)v;
            }
        }
}
#endif

#define NRXI_NET_WINO_LANES 4u

/* Sizes for Winograd on n images of ci -> co channels; floats of work and kernels, 0 when it is not worth
   it. */
NRXI_FN size_t nrxi_net_wino_floats(size_t n, size_t ci, size_t co, size_t k, size_t oh, size_t ow,
    size_t *kernels, size_t *lanes, size_t *stride)
{
    size_t m = 9 - k, tw = (ow + m - 1) / m, twp = (tw + 7) / 8 * 8, pws = twp + 8;
    *lanes = n * ((oh + m - 1) / m) < NRXI_NET_WINO_LANES ? 1 : NRXI_NET_WINO_LANES;
    *kernels = 64 * ((co + 3) / 4) * ci * 4;
    /* values, products, rows in and transformed; then the offsets at the end */
    *stride = (64 * (ci + co) * twp + 16 * (m * pws + 8) + ci * (sizeof(size_t) / sizeof(float))
        + 2 * NRXI_NET_SLACK + 15) / 16 * 16;
    return *kernels + *lanes * *stride + 64;
}

NRXI_FN int nrxi_net_wino_fits(const nrxi_net_conv *g)
{
#if defined(NRXI_NET_X86)
    return g->stride == 1 && g->dil == 1 && g->groups == 1 && g->kh == g->kw && (g->kh == 3 || g->kh == 5)
        && g->ci >= 8 && g->co >= 8
        && g->ow >= 24 && g->oh >= 8 && nrxi_cpu_avx2();
#else
    (void)g;
    return 0;
#endif
}

/* y (+)= convolution with w, forward (adjoint 0) or transposed with zero padding (1). scratch as
   nrxi_net_wino_floats says. */
NRXI_FN void nrxi_net_wino_run(const nrx_env *env, const nrxi_net_conv *g, int adjoint, const float *w,
    const float *bias, const float *x, float *y, int add, float *scratch)
{
#if defined(NRXI_NET_X86)
    nrxi_net_wino q;
    size_t kernels;
    memset(&q, 0, sizeof q);
    q.n = g->n; q.k = g->kh; q.m = 9 - g->kh; q.x = x; q.y = y; q.bias = bias; q.add = add;
    q.ci = adjoint ? g->co : g->ci; q.co = adjoint ? g->ci : g->co;
    q.h = adjoint ? g->oh : g->h; q.w = adjoint ? g->ow : g->w;
    q.oh = adjoint ? g->h : g->oh; q.ow = adjoint ? g->w : g->ow;
    q.pad_y = (ptrdiff_t)(adjoint ? g->kh - 1 - g->pad_y : g->pad_y);
    q.pad_x = (ptrdiff_t)(adjoint ? g->kw - 1 - g->pad_x : g->pad_x);
    q.mode = adjoint ? NRX_NET_PAD_ZERO : g->mode;
    q.tw = (q.ow + q.m - 1) / q.m;
    q.th = (q.oh + q.m - 1) / q.m;
    q.twp = (q.tw + 7) / 8 * 8;
    q.pws = q.twp + 8;
    q.row = (q.m * q.pws + 7) / 8 * 8;
    (void)nrxi_net_wino_floats(q.n, q.ci, q.co, q.k, q.oh, q.ow, &kernels, &q.lanes, &q.stride);
    q.u = scratch; q.work = scratch + (kernels + 15) / 16 * 16;
    nrxi_net_wino_kernels(&q, w, adjoint);
    nrxi_parallel(env, q.lanes, nrxi_net_wino_lane, &q);
#else
    (void)env; (void)g; (void)adjoint; (void)w; (void)bias; (void)x; (void)y; (void)add; (void)scratch;
#endif
}

/* Geometry of a convolution of h x w maps; 0 when the kernel does not fit or sizes overflow. */
NRXI_FN int nrxi_net_conv_setup(nrxi_net_conv *g, const nrxi_net_layer *l, size_t n, size_t ci, size_t co,
    size_t h, size_t w)
{
    size_t span_y = (l->kh - 1) * l->dilation + 1, span_x = (l->kw - 1) * l->dilation + 1, total;
    memset(g, 0, sizeof *g);
    g->n = n; g->ci = ci; g->co = co; g->groups = l->groups; g->kh = l->kh; g->kw = l->kw;
    g->stride = l->stride; g->dil = l->dilation; g->pad_y = l->pad_y; g->pad_x = l->pad_x;
        g->mode = l->padding;
    g->h = h; g->w = w;
    if (!nrxi_add_ok(h, 2 * l->pad_y, &g->ph) || !nrxi_add_ok(w, 2 * l->pad_x, &g->pw)) return 0;
    if (h == 0 || w == 0 || g->ph < span_y || g->pw < span_x) return 0;
    if (g->mode == NRX_NET_PAD_REFLECT && (l->pad_y >= h || l->pad_x >= w)) return 0;
    g->oh = (g->ph - span_y) / g->stride + 1;
    g->ow = (g->pw - span_x) / g->stride + 1;
    g->pws = (g->pw + g->stride - 1) / g->stride;
    g->row = g->pws * g->stride;
    return nrxi_mul_ok(g->ph + g->kh * g->dil, g->row + g->kw * g->dil + NRXI_NET_SLACK, &total)
        && nrxi_mul_ok(total, ci + co, &total)
        && nrxi_mul_ok(total, n, &total) && nrxi_mul_ok(total, 8, &total);
}

/* Floats of scratch, of packed weights, and offsets that any of the three passes needs. */
NRXI_FN void nrxi_net_conv_needs(const nrxi_net_conv *g, size_t *scratch, size_t *packed, size_t *offsets)
{
    size_t fwd = (nrxi_net_conv_is_bare(g) ? 0 : g->n * g->ci * g->ph * g->row + NRXI_NET_SLACK)
        + g->n * g->co * g->oh * g->ow;
    size_t my = g->dil * (g->kh - 1), mx = g->dil * (g->kw - 1), gh = g->ph + my, gw = g->pw + mx;
    size_t adj = g->n * g->co * gh * gw + NRXI_NET_SLACK + g->n * g->ci * g->ph * g->pw + NRXI_NET_SLACK;
    size_t cig = g->ci / g->groups, cog = g->co / g->groups, taps = g->kh * g->kw;
    size_t wide = cig > cog ? cig : cog, pack = ((wide + 3) / 4 * 4) * wide * taps * g->groups;
    if (nrxi_net_wino_fits(g)) {
        size_t k, lanes, stride, wino = nrxi_net_wino_floats(g->n, g->ci, g->co, g->kh, g->oh, g->ow, &k,
            &lanes, &stride);
        size_t back = nrxi_net_wino_floats(g->n, g->co, g->ci, g->kh, g->h, g->w, &k, &lanes, &stride);
        if (wino < back) wino = back;
        if (*scratch < wino + g->n * g->co * g->oh * g->ow) *scratch = wino + g->n * g->co * g->oh * g->ow;
    }
    if (*scratch < fwd) *scratch = fwd;
    if (*scratch < adj) *scratch = adj;
    if (*packed < pack) *packed = pack;
    if (*offsets < wide * taps + 3) *offsets = wide * taps + 3;
}

typedef struct nrxi_net_conv_job { /* one pass, cut into chunks of (sample, block of rows) */
    const nrxi_net_conv *g;
    const size_t *off;
    const float  *packed, *in, *bias, *gy;
    float        *out;
    size_t taps, cin, cout;            /* channels of `in` and `out` in this pass */
    /* floats per channel of `in`, per row, and from one output row to the next */
    size_t in_image, in_row, in_step;
    size_t out_image, out_row, rows, width, blocks;
    int    add;
} nrxi_net_conv_job;

#define NRXI_NET_ROW_BLOCK 8u

NRXI_FN void nrxi_net_conv_rows(void *arg, size_t chunk)
{
    const nrxi_net_conv_job *j = (const nrxi_net_conv_job *)arg;
    size_t n = chunk / j->blocks, r0 = chunk % j->blocks * NRXI_NET_ROW_BLOCK, r1 = r0 + NRXI_NET_ROW_BLOCK,
        group, r, b, c;
    size_t groups = j->g->groups, cog = j->cout / groups, cig = j->cin / groups, blocks4 = (cog + 3) / 4;
    if (r1 > j->rows) r1 = j->rows;
    for (group = 0; group < groups; group++)
        for (r = r0; r < r1; r++)
            for (b = 0; b < blocks4; b++) {
                size_t count = cog - 4 * b < 4 ? cog - 4 * b : 4;
                const float *in = j->in + (n * j->cin + group * cig) * j->in_image + r * j->in_step;
                const float *w = j->packed + (group * blocks4 + b) * j->taps * 4;
                float *out[4] = {NULL, NULL, NULL, NULL}, start[4] = {0, 0, 0, 0};
                for (c = 0; c < count; c++) {
                    size_t channel = group * cog + 4 * b + c;
                    if (j->bias) start[c] = j->bias[channel];
                    out[c] = j->out + (n * j->cout + channel) * j->out_image + r * j->out_row;
                }
                for (; c < 4; c++) out[c] = out[0];
                nrxi_net_tap4(j->taps, j->off, w, in, j->width, out, count, j->add ? NULL : start);
            }
}

/* y = W x + bias. w [co][ci/groups][kh][kw]. */
NRXI_FN void nrxi_net_conv_forward(const nrx_env *env, const nrxi_net_conv *g, const float *w,
    const float *bias, const float *x, float *y, float *scratch, float *packed, size_t *off)
{
    nrxi_net_conv_job j;
    size_t cig = g->ci / g->groups, cog = g->co / g->groups, blocks4 = (cog + 3) / 4,
        taps = cig * g->kh * g->kw,
        group, b, t, c, i, ky, kx;
    if (nrxi_net_wino_fits(g)) { nrxi_net_wino_run(env, g, 0, w, bias, x, y, 0, scratch); return; }
    memset(&j, 0, sizeof j);
    j.in = x;
    if (!nrxi_net_conv_is_bare(g)) {
        for (i = 0; i < g->n * g->ci; i++) nrxi_net_pad_image(g, x + i * g->h * g->w, scratch + i * g->ph
            * g->row);
        memset(scratch + g->n * g->ci * g->ph * g->row, 0, NRXI_NET_SLACK * sizeof(float));
        j.in = scratch;
    }
    for (i = 0, t = 0; i < cig; i++)
        for (ky = 0; ky < g->kh; ky++)
            for (kx = 0; kx < g->kw; kx++, t++) {
                size_t q = kx * g->dil;
                off[t] = (i * g->ph + ky * g->dil) * g->row + q % g->stride * g->pws + q / g->stride;
            }
    for (group = 0; group < g->groups; group++)
        for (b = 0; b < blocks4; b++)
            for (t = 0; t < taps; t++)
                for (c = 0; c < 4; c++)
                    packed[((group * blocks4 + b) * taps + t) * 4 + c] = 4 * b + c < cog
                        ? w[(group * cog + 4 * b + c) * taps + t] : 0.0f;
    j.g = g; j.off = off; j.packed = packed; j.bias = bias; j.out = y;
    j.taps = taps; j.cin = g->ci; j.cout = g->co;
    j.in_image = g->ph * g->row; j.in_row = g->row; j.in_step = g->row * g->stride;
    j.out_image = g->oh * g->ow; j.out_row = g->ow; j.rows = g->oh; j.width = g->ow;
    j.blocks = (g->oh + NRXI_NET_ROW_BLOCK - 1) / NRXI_NET_ROW_BLOCK;
    nrxi_parallel(env, g->n * j.blocks, nrxi_net_conv_rows, &j);
}

/* gx (+)= W^T gy: a convolution of the zero-stuffed, zero-padded gy with the flipped kernels; then the
   padding is folded back. */
NRXI_FN void nrxi_net_conv_adjoint(const nrx_env *env, const nrxi_net_conv *g, const float *w,
    const float *gy, float *gx, int add, float *scratch, float *packed, size_t *off)
{
    nrxi_net_conv_job j;
    size_t cig = g->ci / g->groups, cog = g->co / g->groups, blocks4 = (cig + 3) / 4, area = g->kh * g->kw,
        taps = cog * area;
    size_t my = g->dil * (g->kh - 1), mx = g->dil * (g->kw - 1), gh = g->ph + my, gw = g->pw + mx, i, r, c,
        t, o,
        group, b, ky, kx;
    float *stuffed = scratch, *full = scratch + g->n * g->co * gh * gw + NRXI_NET_SLACK;
    int direct = g->mode == NRX_NET_PAD_ZERO;
    if (direct && nrxi_net_wino_fits(g) && g->pad_y < g->kh && g->pad_x < g->kw && g->w >= 24) {
        nrxi_net_wino_run(env, g, 1, w, NULL, gy, gx, add, scratch); return; }
    if (g->kh * g->kw == 1 && nrxi_net_conv_is_bare(g)) stuffed = NULL; /* gy as it stands */
    else memset(stuffed, 0, (g->n * g->co * gh * gw + NRXI_NET_SLACK) * sizeof(float));
    for (i = 0; stuffed && i < g->n * g->co; i++)
        for (r = 0; r < g->oh; r++) {
            float *to = stuffed + (i * gh + my + r * g->stride) * gw + mx;
            const float *from = gy + (i * g->oh + r) * g->ow;
            if (g->stride == 1) memcpy(to, from, g->ow * sizeof(float));
            else for (c = 0; c < g->ow; c++) to[c * g->stride] = from[c];
        }
    for (o = 0, t = 0; o < cog; o++)
        for (ky = 0; ky < g->kh; ky++)
            for (kx = 0; kx < g->kw; kx++, t++) off[t] = (o * gh + my - ky * g->dil) * gw + mx - kx * g->dil;
    for (group = 0; group < g->groups; group++)
        for (b = 0; b < blocks4; b++)
            for (t = 0; t < taps; t++)
                for (c = 0; c < 4; c++)
                    packed[((group * blocks4 + b) * taps + t) * 4 + c] = 4 * b + c < cig
                        ? w[((group * cog + t / area) * cig + 4 * b + c) * area + t % area] : 0.0f;
    memset(&j, 0, sizeof j);
    j.g = g; j.off = off; j.packed = packed; j.in = stuffed ? stuffed : gy; j.taps = taps; j.cin = g->co;
        j.cout = g->ci;
    j.in_image = gh * gw; j.in_row = j.in_step = gw;
    if (direct) {
        j.in += g->pad_y * gw + g->pad_x;
        j.out = gx; j.add = add;
        j.out_image = g->h * g->w; j.out_row = g->w; j.rows = g->h; j.width = g->w;
    } else {
        j.out = full;
        j.out_image = g->ph * g->pw; j.out_row = g->pw; j.rows = g->ph; j.width = g->pw;
    }
    j.blocks = (j.rows + NRXI_NET_ROW_BLOCK - 1) / NRXI_NET_ROW_BLOCK;
    nrxi_parallel(env, g->n * j.blocks, nrxi_net_conv_rows, &j);
    if (direct) return;
    if (!add) memset(gx, 0, g->n * g->ci * g->h * g->w * sizeof(float));
    for (i = 0; i < g->n * g->ci; i++) nrxi_net_unpad_add(g, full + i * g->ph * g->pw, gx + i * g->h * g->w);
}

/* Chunk = four output channels of one group: their weight gradients over all samples. Sums run over blocks of
   rows. */
NRXI_FN void nrxi_net_conv_weight_rows(void *arg, size_t chunk)
{
    const nrxi_net_conv_job *j = (const nrxi_net_conv_job *)arg;
    const nrxi_net_conv *g = j->g;
    size_t cig = g->ci / g->groups, cog = g->co / g->groups, blocks4 = (cog + 3) / 4, group = chunk / blocks4,
        b = chunk % blocks4;
    size_t count = cog - 4 * b < 4 ? cog - 4 * b : 4, first = group * cog + 4 * b, n, r, c, t, k;
    for (n = 0; n < g->n; n++)
        for (r = 0; r < g->oh; r += NRXI_NET_ROW_BLOCK) {
            size_t rows = g->oh - r < NRXI_NET_ROW_BLOCK ? g->oh - r : NRXI_NET_ROW_BLOCK;
            const float *in = j->in + (n * g->ci + group * cig) * j->in_image + r * j->in_step;
            for (t = 0; t < j->taps; t += 3) {
                size_t m = j->taps - t < 3 ? j->taps - t : 3;
                const float *gy[4];
                float dot[4][3] = {{0, 0, 0}, {0, 0, 0}, {0, 0, 0}, {0, 0, 0}};
                for (c = 0; c < 4; c++) gy[c] = j->gy + ((n * g->co + first + (c < count ? c : 0)) * g->oh
                    + r) * g->ow;
#if defined(NRXI_NET_X86)
                if (nrxi_cpu_avx2()) nrxi_net_dots_avx2(j->off + t, in, j->in_step, gy, g->ow, rows, g->ow,
                    dot);
                else
#endif
                {
                    size_t row;
                    const float *p = in;
                    for (row = 0; row < rows; row++, p += j->in_step) {
                        nrxi_net_dots_plain(j->off + t, m, p, gy, count, g->ow, dot);
                        for (c = 0; c < 4; c++) gy[c] += g->ow;
                    }
                }
                for (c = 0; c < count; c++)
                    for (k = 0; k < m; k++) j->out[(first + c) * j->taps + t + k] += dot[c][k];
            }
        }
}

/* gw += gradient of <gy, W x> in the weights. */
NRXI_FN void nrxi_net_conv_weight_grad(const nrx_env *env, const nrxi_net_conv *g, const float *x,
    const float *gy, float *gw, float *scratch, size_t *off)
{
    nrxi_net_conv_job j;
    size_t cig = g->ci / g->groups, cog = g->co / g->groups, taps = cig * g->kh * g->kw, i, t, ky, kx;
    memset(&j, 0, sizeof j);
    j.in = x;
    if (!nrxi_net_conv_is_bare(g)) {
        for (i = 0; i < g->n * g->ci; i++) nrxi_net_pad_image(g, x + i * g->h * g->w, scratch + i * g->ph
            * g->row);
        memset(scratch + g->n * g->ci * g->ph * g->row, 0, NRXI_NET_SLACK * sizeof(float));
        j.in = scratch;
    }
    for (i = 0, t = 0; i < cig; i++)
        for (ky = 0; ky < g->kh; ky++)
            for (kx = 0; kx < g->kw; kx++, t++) {
                size_t q = kx * g->dil;
                off[t] = (i * g->ph + ky * g->dil) * g->row + q % g->stride * g->pws + q / g->stride;
            }
    off[t] = off[t + 1] = off[t - 1]; /* the last group of three may read past the taps */
    j.g = g; j.off = off; j.gy = gy; j.out = gw; j.taps = taps;
    j.in_image = g->ph * g->row; j.in_row = g->row; j.in_step = g->row * g->stride;
    nrxi_parallel(env, g->groups * ((cog + 3) / 4), nrxi_net_conv_weight_rows, &j);
}

/* ---- dense layers, through the same kernel ---- */

/* c [rows][width] (+)= a b: entry (i, k) of a stands at a[i*row + k*column], b [inner][width]. packed:
   4*inner floats. */
NRXI_FN void nrxi_net_rows_times(size_t rows, size_t inner, size_t width, const float *a, size_t row,
    size_t column, const float *b, float *c, int add, float *packed, size_t *off)
{
    size_t i, k, j;
    for (k = 0; k < inner; k++) off[k] = k * width;
    for (i = 0; i < rows; i += 4) {
        size_t count = rows - i < 4 ? rows - i : 4;
        float *out[4];
        for (j = 0; j < 4; j++) {
            out[j] = c + (i + (j < count ? j : 0)) * width;
            for (k = 0; k < inner; k++) packed[4 * k + j] = j < count ? a[(i + j) * row + k * column] : 0.0f;
        }
        nrxi_net_tap4(inner, off, packed, b, width, out, count, add ? NULL : nrxi_net_zeros);
    }
}

/* y [n][out] = x [n][in] w^T, w [out][in]; scratch: in*out floats for w^T. One or two samples read w as it
   stands. */
NRXI_FN void nrxi_net_dense_forward(size_t n, size_t in, size_t out, const float *w, const float *x,
    float *y, float *scratch, float *packed, size_t *off)
{
    size_t i, k, s;
    if (n > 2) {
        for (i = 0; i < out; i++) for (k = 0; k < in; k++) scratch[k * out + i] = w[i * in + k];
        memset(scratch + in * out, 0, NRXI_NET_SLACK * sizeof(float));
        nrxi_net_rows_times(n, in, out, x, in, 1, scratch, y, 0, packed, off);
        return;
    }
    for (s = 0; s < n; s++)
        for (i = 0; i < out; i++) {
            float part[8] = {0, 0, 0, 0, 0, 0, 0, 0};
            for (k = 0; k + 8 <= in; k += 8) { size_t j; for (j = 0; j < 8; j++) part[j] += w[i * in + k + j]
                * x[s * in + k + j]; }
            for (; k < in; k++) part[k % 8] += w[i * in + k] * x[s * in + k];
            y[s * out + i] = ((part[0] + part[4]) + (part[1] + part[5]))
                + ((part[2] + part[6]) + (part[3] + part[7]));
        }
}

/* ---- element by element ---- */

#if defined(NRXI_NET_X86)
/* Whole vectors of the three functions below; they return how many numbers were done. */
NRXI_AVX2 NRXI_FN size_t nrxi_net_blend_avx2(size_t n, float a, const float *x, float b, const float *z,
    float *y)
{
    size_t i;
    if (z) for (i = 0; i + 8 <= n; i += 8) NRXI_NET_ST(y + i, a * NRXI_NET_LD(x + i) + b * NRXI_NET_LD(z
        + i));
    else for (i = 0; i + 8 <= n; i += 8) NRXI_NET_ST(y + i, a * NRXI_NET_LD(x + i));
    return i;
}

NRXI_AVX2 NRXI_FN size_t nrxi_net_product_avx2(size_t n, const float *a, const float *b, const float *c,
    float *y, int add)
{
    size_t i;
    for (i = 0; i + 8 <= n; i += 8) {
        nrxi_f32x8 u = NRXI_NET_LD(a + i) * NRXI_NET_LD(b + i);
        if (c) u *= NRXI_NET_LD(c + i);
        if (add) u += NRXI_NET_LD(y + i);
        NRXI_NET_ST(y + i, u);
    }
    return i;
}

NRXI_AVX2 NRXI_FN size_t nrxi_net_tanh_avx2(size_t n, const float *z, const float *v, const float *t,
    float *y, int add)
{
    size_t i;
    for (i = 0; i + 8 <= n; i += 8) {
        nrxi_f32x8 u = NRXI_NET_LD(z + i), d = 1 - u * u;
        if (t) d *= -2 * u * NRXI_NET_LD(t + i);
        d *= NRXI_NET_LD(v + i);
        if (add) d += NRXI_NET_LD(y + i);
        NRXI_NET_ST(y + i, d);
    }
    return i;
}

NRXI_AVX2 NRXI_FN double nrxi_net_total_avx2(size_t n, const float *x)
{
    double sum = 0;
    size_t i = 0, j;
    while (i + 32 <= n) { /* 32 lanes over at most 1024 numbers, then f64 */
        size_t end = n - i > 1024 ? i + 1024 : n;
        nrxi_f32x8 a = {0, 0, 0, 0, 0, 0, 0, 0}, b = a, c = a, d = a;
        for (; i + 32 <= end; i += 32) {
            a += NRXI_NET_LD(x + i); b += NRXI_NET_LD(x + i + 8);
            c += NRXI_NET_LD(x + i + 16); d += NRXI_NET_LD(x + i + 24);
        }
        a = (a + b) + (c + d);
        for (j = 0; j < 8; j++) sum += (double)a[j];
    }
    for (; i < n; i++) sum += (double)x[i];
    return sum;
}

NRXI_AVX2 NRXI_FN size_t nrxi_net_leaky_avx2(size_t n, float a, const float *t, const float *v, float *y,
    int add)
{
    const nrxi_f32x8 zero = {0, 0, 0, 0, 0, 0, 0, 0};
    size_t i;
    for (i = 0; i + 8 <= n; i += 8) {
        nrxi_f32x8 u = NRXI_NET_LD(v + i), low = a * u;
        nrxi_i32x8 up = NRXI_NET_LD(t + i) > zero;
        u = (nrxi_f32x8)(((nrxi_i32x8)u & up) | ((nrxi_i32x8)low & ~up));
        if (add) u += NRXI_NET_LD(y + i);
        NRXI_NET_ST(y + i, u);
    }
    return i;
}
#endif

/* y = a x + b z; z may be NULL or y. */
NRXI_FN void nrxi_net_blend(size_t n, float a, const float *x, float b, const float *z, float *y)
{
    size_t i = 0;
#if defined(NRXI_NET_X86)
    if (nrxi_cpu_avx2()) i = nrxi_net_blend_avx2(n, a, x, b, z, y);
#endif
    if (z) for (; i < n; i++) y[i] = a * x[i] + b * z[i];
    else for (; i < n; i++) y[i] = a * x[i];
}

/* y (+)= a b c; c may be NULL. */
NRXI_FN void nrxi_net_product(size_t n, const float *a, const float *b, const float *c, float *y, int add)
{
    size_t i = 0;
#if defined(NRXI_NET_X86)
    if (nrxi_cpu_avx2()) i = nrxi_net_product_avx2(n, a, b, c, y, add);
#endif
    for (; i < n; i++) y[i] = (add ? y[i] : 0.0f) + a[i] * b[i] * (c ? c[i] : 1.0f);
}

/* y (+)= s'(.) v, or with t  s''(.) v t, for the hyperbolic tangent of values z. */
NRXI_FN void nrxi_net_tanh_slope(size_t n, const float *z, const float *v, const float *t, float *y, int add)
{
    size_t i = 0;
#if defined(NRXI_NET_X86)
    if (nrxi_cpu_avx2()) i = nrxi_net_tanh_avx2(n, z, v, t, y, add);
#endif
    for (; i < n; i++) y[i] = (add ? y[i] : 0.0f) + (1 - z[i] * z[i]) * v[i] * (t ? -2 * z[i] * t[i] : 1.0f);
}

NRXI_FN double nrxi_net_total(size_t n, const float *x)
{
    double sum = 0;
    size_t i;
#if defined(NRXI_NET_X86)
    if (nrxi_cpu_avx2()) return nrxi_net_total_avx2(n, x);
#endif
    for (i = 0; i < n; i++) sum += (double)x[i];
    return sum;
}

/* y (+)= v where t > 0, a v elsewhere. */
NRXI_FN void nrxi_net_leaky(size_t n, float a, const float *t, const float *v, float *y, int add)
{
    size_t i = 0;
#if defined(NRXI_NET_X86)
    if (nrxi_cpu_avx2()) i = nrxi_net_leaky_avx2(n, a, t, v, y, add);
#endif
    for (; i < n; i++) y[i] = (add ? y[i] : 0.0f) + (t[i] > 0 ? v[i] : a * v[i]);
}

/* ---- pointwise functions ---- */

/* Bounds of a pointwise function's first and second derivative, for certificates; infinite at kinks. */
typedef struct nrxi_net_act_bounds { double d1_min, d1_max, d2_min, d2_max; } nrxi_net_act_bounds;

NRXI_FN nrxi_net_act_bounds nrxi_net_act_range(int kind, double a)
{
    nrxi_net_act_bounds r;
    r.d1_min = 0; r.d1_max = 1; r.d2_min = 0; r.d2_max = HUGE_VAL;
    switch (kind) {
    case NRX_NET_RELU: break;
    case NRX_NET_LEAKY_RELU:
        r.d1_min = a < 1 ? a : 1; r.d1_max = a < 1 ? 1 : a;
        if (a > 1) { r.d2_min = -HUGE_VAL; r.d2_max = 0; }
        break;
    case NRX_NET_SMOOTH_RELU: r.d2_max = 1 / a; break;
    case NRX_NET_SOFTPLUS: r.d2_max = a / 4; break;
    case NRX_NET_SOFTPLUS0: r.d2_max = 0.25; break;
    case NRX_NET_ELU:
        r.d1_max = a > 1 ? a : 1;
        if (a > 1) r.d2_min = -HUGE_VAL;
        else if (a == 1) r.d2_max = 1;
        break;
    case NRX_NET_CELU: r.d2_max = 1 / a; break;
    case NRX_NET_SILU: r.d1_min = -0.09984; r.d1_max = 1.09984; r.d2_min = -0.09992; r.d2_max = 0.5; break;
    case NRX_NET_TANH: r.d2_min = -0.76981; r.d2_max = 0.76981; break;
    case NRX_NET_SIGMOID: r.d1_max = 0.25; r.d2_min = -0.0962251; r.d2_max = 0.0962251; break;
    case NRX_NET_GELU: r.d1_min = -0.12905; r.d1_max = 1.12905; r.d2_min = -0.10799; r.d2_max = 0.79789;
        break;
    case NRX_NET_SINE: r.d1_min = -a; r.d1_max = a; r.d2_min = -a * a; r.d2_max = a * a; break;
    case NRX_NET_HUBER: r.d1_min = -1; r.d2_max = 1 / a; break;
    case NRX_NET_ABS: r.d1_min = -1; break;
    case NRX_NET_SQUARE: r.d1_min = -HUGE_VAL; r.d1_max = HUGE_VAL; r.d2_min = r.d2_max = 2; break;
    case NRX_NET_LOGCOSH: r.d1_min = -1; r.d2_max = a; break;
    case NRX_NET_LOG_STUDENT: r.d1_max = 0.5 * sqrt(a); r.d1_min = -r.d1_max; r.d2_min = -a / 8;
        r.d2_max = a; break;
    case NRX_NET_EXP: r.d1_max = HUGE_VAL; break;
    case NRX_NET_IDENTITY: r.d1_min = 1; r.d2_max = 0; break;
    default: r.d2_min = -HUGE_VAL; break; /* clip */
    }
    return r;
}

/* Zero second derivative wherever it exists: tangents then need no value adjoints. */
NRXI_FN int nrxi_net_act_is_flat(int kind)
{
    return kind == NRX_NET_RELU || kind == NRX_NET_LEAKY_RELU || kind == NRX_NET_ABS
        || kind == NRX_NET_IDENTITY
        || kind == NRX_NET_CLIP;
}

NRXI_FN float nrxi_net_softplus1(float t) { return t > 0 ? t + log1pf(expf(-t)) : log1pf(expf(t)); }
NRXI_FN float nrxi_net_sigmoid1(float t) { float e = expf(t > 0 ? -t : t); return t > 0 ? 1.0f / (1.0f + e)
    : e / (1.0f + e); }

#define NRXI_NET_ACT_CHUNK 256u

/* z, d1, d2 (each may be NULL) = the function and its two derivatives at n <= NRXI_NET_ACT_CHUNK points t;
   known: the values there, when they have been computed before. */
NRXI_FN void nrxi_net_act(int kind, double pa, double pb, size_t n, const float *t, const float *known,
    float *z, float *d1, float *d2)
{
    float a = (float)pa, b = (float)pb, s[NRXI_NET_ACT_CHUNK];
    size_t i;
    s[0] = 0; /* for compilers that cannot see n > 0 */
    switch (kind) {
    case NRX_NET_RELU: a = 0.0f; /* fall through */
    case NRX_NET_LEAKY_RELU:
        if (z) for (i = 0; i < n; i++) z[i] = t[i] > 0 ? t[i] : a * t[i];
        if (d1) for (i = 0; i < n; i++) d1[i] = t[i] > 0 ? 1.0f : a;
        if (d2) memset(d2, 0, n * sizeof *d2);
        break;
    case NRX_NET_SMOOTH_RELU:
        if (z) for (i = 0; i < n; i++) z[i] = t[i] <= 0 ? 0.0f : t[i] < a ? t[i] * t[i] / (2 * a)
            : t[i] - a / 2;
        if (d1) for (i = 0; i < n; i++) d1[i] = t[i] <= 0 ? 0.0f : t[i] < a ? t[i] / a : 1.0f;
        if (d2) for (i = 0; i < n; i++) d2[i] = t[i] > 0 && t[i] < a ? 1 / a : 0.0f;
        break;
    case NRX_NET_SOFTPLUS0: a = 1.0f; /* fall through */
    case NRX_NET_SOFTPLUS: {
        float shift = kind == NRX_NET_SOFTPLUS0 ? 0.69314718056f : 0.0f;
        for (i = 0; i < n; i++) s[i] = a * t[i];
        if (z) {
            nrxi_vsoftplus_f32(n, s, z);
            for (i = 0; i < n; i++) z[i] = z[i] / a - shift;
        }
        if (d1 || d2) nrxi_vsigmoid_f32(n, s, s);
        if (d1) memcpy(d1, s, n * sizeof *d1);
        if (d2) for (i = 0; i < n; i++) d2[i] = a * s[i] * (1 - s[i]);
        break;
    }
    case NRX_NET_ELU:
        for (i = 0; i < n; i++) s[i] = t[i] < 0 ? t[i] : 0.0f;
        nrxi_vexpm1_f32(n, s, s);
        if (z) for (i = 0; i < n; i++) z[i] = t[i] > 0 ? t[i] : a * s[i];
        if (d1) for (i = 0; i < n; i++) d1[i] = t[i] > 0 ? 1.0f : a * (s[i] + 1);
        if (d2) for (i = 0; i < n; i++) d2[i] = t[i] > 0 ? 0.0f : a * (s[i] + 1);
        break;
    case NRX_NET_CELU:
        for (i = 0; i < n; i++) s[i] = t[i] < 0 ? t[i] / a : 0.0f;
        nrxi_vexpm1_f32(n, s, s);
        if (z) for (i = 0; i < n; i++) z[i] = t[i] > 0 ? t[i] : a * s[i];
        if (d1) for (i = 0; i < n; i++) d1[i] = t[i] > 0 ? 1.0f : s[i] + 1;
        if (d2) for (i = 0; i < n; i++) d2[i] = t[i] > 0 ? 0.0f : (s[i] + 1) / a;
        break;
    case NRX_NET_SILU:
        nrxi_vsigmoid_f32(n, t, s);
        if (z) for (i = 0; i < n; i++) z[i] = t[i] * s[i];
        if (d1) for (i = 0; i < n; i++) d1[i] = s[i] * (1 + t[i] * (1 - s[i]));
        if (d2) for (i = 0; i < n; i++) d2[i] = s[i] * (1 - s[i]) * (2 + t[i] * (1 - 2 * s[i]));
        break;
    case NRX_NET_TANH:
        if (!known) { nrxi_vtanh_f32(n, t, s); known = s; }
        if (z) memcpy(z, known, n * sizeof *z);
        if (d1) for (i = 0; i < n; i++) d1[i] = 1 - known[i] * known[i];
        if (d2) for (i = 0; i < n; i++) d2[i] = -2 * known[i] * (1 - known[i] * known[i]);
        break;
    case NRX_NET_SIGMOID:
        if (known) memcpy(s, known, n * sizeof *s);
        else nrxi_vsigmoid_f32(n, t, s);
        if (z) memcpy(z, s, n * sizeof *z);
        if (d1) for (i = 0; i < n; i++) d1[i] = s[i] * (1 - s[i]);
        if (d2) for (i = 0; i < n; i++) d2[i] = s[i] * (1 - s[i]) * (1 - 2 * s[i]);
        break;
    case NRX_NET_GELU: {
        float phi[NRXI_NET_ACT_CHUNK];
        phi[0] = 0; /* as s[0] above */
        for (i = 0; i < n; i++) s[i] = t[i] * 0.70710678118654752f;
        nrxi_verf_f32(n, s, s);
        for (i = 0; i < n; i++) { s[i] = 0.5f * (1 + s[i]); phi[i] = -0.5f * t[i] * t[i]; }
        if (z) for (i = 0; i < n; i++) z[i] = t[i] * s[i];
        if (!d1 && !d2) break;
        nrxi_vexp_f32(n, phi, phi);
        for (i = 0; i < n; i++) phi[i] *= 0.39894228040143268f;
        if (d1) for (i = 0; i < n; i++) d1[i] = s[i] + t[i] * phi[i];
        if (d2) for (i = 0; i < n; i++) d2[i] = phi[i] * (2 - t[i] * t[i]);
        break;
    }
    case NRX_NET_SINE:
        for (i = 0; i < n; i++) s[i] = a * t[i];
        if (z) nrxi_vsin_f32(n, s, z);
        if (d1) { nrxi_vcos_f32(n, s, d1); for (i = 0; i < n; i++) d1[i] *= a; }
        if (d2) { nrxi_vsin_f32(n, s, d2); for (i = 0; i < n; i++) d2[i] *= -a * a; }
        break;
    case NRX_NET_HUBER:
        if (z) for (i = 0; i < n; i++) { float m = fabsf(t[i]);
            z[i] = m <= a ? t[i] * t[i] / (2 * a) : m - a / 2; }
        if (d1) for (i = 0; i < n; i++) d1[i] = t[i] > a ? 1.0f : t[i] < -a ? -1.0f : t[i] / a;
        if (d2) for (i = 0; i < n; i++) d2[i] = t[i] > a || t[i] < -a ? 0.0f : 1 / a;
        break;
    case NRX_NET_ABS:
        if (z) for (i = 0; i < n; i++) z[i] = fabsf(t[i]);
        if (d1) for (i = 0; i < n; i++) d1[i] = t[i] > 0 ? 1.0f : t[i] < 0 ? -1.0f : 0.0f;
        if (d2) memset(d2, 0, n * sizeof *d2);
        break;
    case NRX_NET_SQUARE:
        if (z) for (i = 0; i < n; i++) z[i] = t[i] * t[i];
        if (d1) for (i = 0; i < n; i++) d1[i] = 2 * t[i];
        if (d2) for (i = 0; i < n; i++) d2[i] = 2.0f;
        break;
    case NRX_NET_LOGCOSH: /* log cosh u = |u| + log1p(exp(-2|u|)) - log 2 = softplus(2u) - u - log 2 */
        if (z) {
            for (i = 0; i < n; i++) s[i] = -2 * fabsf(a * t[i]);
            nrxi_vexp_f32(n, s, s);
            nrxi_vlog1p_f32(n, s, s);
            for (i = 0; i < n; i++) z[i] = (fabsf(a * t[i]) + s[i] - 0.69314718056f) / a;
        }
        if (!d1 && !d2) break;
        for (i = 0; i < n; i++) s[i] = a * t[i];
        nrxi_vtanh_f32(n, s, s);
        if (d1) memcpy(d1, s, n * sizeof *d1);
        if (d2) for (i = 0; i < n; i++) d2[i] = a * (1 - s[i] * s[i]);
        break;
    case NRX_NET_LOG_STUDENT:
        for (i = 0; i < n; i++) s[i] = a * t[i] * t[i];
        if (d1) for (i = 0; i < n; i++) d1[i] = a * t[i] / (1 + s[i]);
        if (d2) for (i = 0; i < n; i++) d2[i] = a * (1 - s[i]) / ((1 + s[i]) * (1 + s[i]));
        if (z) { nrxi_vlog1p_f32(n, s, s); for (i = 0; i < n; i++) z[i] = 0.5f * s[i]; }
        break;
    case NRX_NET_EXP:
        if (known) memcpy(s, known, n * sizeof *s);
        else nrxi_vexp_f32(n, t, s);
        if (z) memcpy(z, s, n * sizeof *z);
        if (d1) memcpy(d1, s, n * sizeof *d1);
        if (d2) memcpy(d2, s, n * sizeof *d2);
        break;
    case NRX_NET_IDENTITY:
        if (z) memmove(z, t, n * sizeof *z);
        if (d1) for (i = 0; i < n; i++) d1[i] = 1.0f;
        if (d2) memset(d2, 0, n * sizeof *d2);
        break;
    default:
        if (z) for (i = 0; i < n; i++) z[i] = t[i] < a ? a : t[i] > b ? b : t[i];
        if (d1) for (i = 0; i < n; i++) d1[i] = t[i] > a && t[i] < b ? 1.0f : 0.0f;
        if (d2) memset(d2, 0, n * sizeof *d2);
        break;
    }
}

/* ---- learned profiles: values, two derivatives, and what the parameters see ---- */

/* One channel's ridge profile psi(t) = (alpha/s^2) (h(k s t)/k - rho h(s t)). */
typedef struct nrxi_net_ridge { float s, k, alpha, rho; } nrxi_net_ridge;

NRXI_FN float nrxi_net_clip1(float t) { return t > 1 ? 1.0f : t < -1 ? -1.0f : t; }

#if defined(NRXI_NET_X86)
/* clip to [-1,1], and 1 where nothing was clipped */
#define NRXI_NET_CLIP8(c, in, t)                                                                                        \
    do {                                                                                                            \
        nrxi_i32x8 hi_ = (t) > one, lo_ = (t) < -one;                                                               \
        nrxi_i32x8 keep_ = ~(hi_ | lo_);                                                                            \
        (c) = (nrxi_f32x8)(((nrxi_i32x8)(t) & keep_) | ((nrxi_i32x8)one & hi_) | ((nrxi_i32x8)(-one) & lo_));       \
        (in) = (nrxi_f32x8)((nrxi_i32x8)one & keep_);                                                               \
    } while (0)

/* Whole vectors of the two functions below; returns how many numbers were done. */
NRXI_AVX2 NRXI_FN size_t nrxi_net_ridge_eval_avx2(const nrxi_net_ridge *p, size_t n, const float *t,
    float *z, float *d1, float *d2)
{
    const nrxi_f32x8 one = {1, 1, 1, 1, 1, 1, 1, 1};
    float s = p->s, k = p->k, rho = p->rho, a1 = p->alpha / s, a0 = a1 / s, half_k = 1 / k;
    size_t i;
    for (i = 0; i + 8 <= n; i += 8) {
        nrxi_f32x8 u = s * NRXI_NET_LD(t + i), ku = k * u, c0, c1, i0, i1;
        NRXI_NET_CLIP8(c0, i0, u);
        NRXI_NET_CLIP8(c1, i1, ku);
        if (z) NRXI_NET_ST(z + i, a0 * (half_k * c1 * (ku - 0.5f * c1) - rho * c0 * (u - 0.5f * c0)));
        if (d1) NRXI_NET_ST(d1 + i, a1 * (c1 - rho * c0));
        if (d2) NRXI_NET_ST(d2 + i, p->alpha * (k * i1 - rho * i0));
    }
    return i;
}

NRXI_AVX2 NRXI_FN size_t nrxi_net_ridge_grad_avx2(const nrxi_net_ridge *p, size_t n, const float *t,
    const float *v, const float *g, const float *tg, double grad[3])
{
    const nrxi_f32x8 one = {1, 1, 1, 1, 1, 1, 1, 1}, zero = {0, 0, 0, 0, 0, 0, 0, 0};
    float s = p->s, k = p->k, rho = p->rho, a1 = p->alpha / s, a0 = a1 / s, inv = 1 / k;
    size_t i = 0, j, end;
    while (i + 8 <= n) {
        nrxi_f32x8 gs = zero, gk = zero, ga = zero;
        for (end = n - i > 1024 ? i + 1024 : n; i + 8 <= end; i += 8) {
            nrxi_f32x8 u = s * NRXI_NET_LD(t + i), ku = k * u, c0, c1, i0, i1, d, h1;
            NRXI_NET_CLIP8(c0, i0, u);
            NRXI_NET_CLIP8(c1, i1, ku);
            d = c1 - rho * c0;
            h1 = c1 * (ku - 0.5f * c1) * inv;
            if (g) {
                nrxi_f32x8 q = a0 * NRXI_NET_LD(g + i), y = h1 - rho * c0 * (u - 0.5f * c0);
                gs += q * (u * d - 2 * y);
                gk += q * (u * c1 - h1);
                ga += q * y;
            }
            if (tg) {
                nrxi_f32x8 q = a1 * NRXI_NET_LD(tg + i) * NRXI_NET_LD(v + i), ramp = ku * i1;
                gs += q * (ramp - rho * u * i0 - d);
                gk += q * ramp;
                ga += q * d;
            }
        }
        for (j = 0; j < 8; j++) { grad[0] += (double)gs[j]; grad[1] += (double)gk[j];
            grad[2] += (double)ga[j]; }
    }
    return i;
}
#endif

NRXI_FN void nrxi_net_ridge_eval(const nrxi_net_ridge *p, size_t n, const float *t, float *z, float *d1,
    float *d2)
{
    float s = p->s, k = p->k, rho = p->rho, a1 = p->alpha / s, a0 = a1 / s;
    size_t i = 0;
#if defined(NRXI_NET_X86)
    if (nrxi_cpu_avx2()) i = nrxi_net_ridge_eval_avx2(p, n, t, z, d1, d2);
#endif
    for (; i < n; i++) { /* Huber's h(t) = c (t - c/2) with c = clip(t) */
        float u = s * t[i], ku = k * u, c0 = nrxi_net_clip1(u), c1 = nrxi_net_clip1(ku);
        if (z) z[i] = a0 * (c1 * (ku - 0.5f * c1) / k - rho * c0 * (u - 0.5f * c0));
        if (d1) d1[i] = a1 * (c1 - rho * c0);
        if (d2) d2[i] = p->alpha * ((c1 == ku ? k : 0) - (c0 == u ? rho : 0));
    }
}

/* grad[0..2] += derivatives in log s, log k, log alpha of  sum g psi(t) + tg psi'(t) v. g, or tg and v, may
   be NULL.
   */
NRXI_FN void nrxi_net_ridge_grad(const nrxi_net_ridge *p, size_t n, const float *t, const float *v,
    const float *g, const float *tg, double grad[3])
{
    float s = p->s, k = p->k, rho = p->rho, a1 = p->alpha / s, a0 = a1 / s;
    double gs = 0, gk = 0, ga = 0;
    size_t i = 0;
#if defined(NRXI_NET_X86)
    if (nrxi_cpu_avx2()) i = nrxi_net_ridge_grad_avx2(p, n, t, v, g, tg, grad);
#endif
    for (; i < n; i++) {
        float u = s * t[i], ku = k * u, c0 = nrxi_net_clip1(u), c1 = nrxi_net_clip1(ku), d1 = c1 - rho * c0,
            h1 = c1 * (ku - 0.5f * c1) / k;
        if (g) {
            float z = h1 - rho * c0 * (u - 0.5f * c0);
            gs += (double)(g[i] * a0 * (u * d1 - 2 * z));
            gk += (double)(g[i] * a0 * (u * c1 - h1));
            ga += (double)(g[i] * a0 * z);
        }
        if (tg) {
            float q = tg[i] * v[i] * a1, ramp = c1 == ku ? ku : 0;
            gs += (double)(q * (ramp - (c0 == u ? rho * u : 0) - d1));
            gk += (double)(q * ramp);
            ga += (double)(q * d1);
        }
    }
    grad[0] += gs; grad[1] += gk; grad[2] += ga;
}

/* One channel's linear spline: knots values c at -range .. range, continued linearly; integrated: its
   integral from 0. */
typedef struct nrxi_net_spline { const float *c; size_t knots; float range, step; int integrated;
    } nrxi_net_spline;

NRXI_FN size_t nrxi_net_spline_cell(const nrxi_net_spline *p, float t, float *fraction)
{
    float u = (t + p->range) / p->step, cells = (float)(p->knots - 1);
    size_t k = 0;
    if (u >= cells) k = p->knots - 2;
    else if (u > 0) k = (size_t)u;
    *fraction = u - (float)k;
    return k;
}

/* Integral of the spline from the first knot to cell k, fraction f (any f in the outer cells), by
   trapezoids. */
NRXI_FN double nrxi_net_spline_area(const nrxi_net_spline *p, size_t k, float f)
{
    double area = 0, c0 = (double)p->c[k], c1 = (double)p->c[k + 1];
    size_t i;
    for (i = 0; i < k; i++) area += 0.5 * ((double)p->c[i] + (double)p->c[i + 1]);
    return (area + (double)f * (c0 + 0.5 * (double)f * (c1 - c0))) * (double)p->step;
}

NRXI_FN void nrxi_net_spline_eval(const nrxi_net_spline *p, size_t n, const float *t, float *z, float *d1,
    float *d2)
{
    float f0;
    size_t i, k0 = nrxi_net_spline_cell(p, 0.0f, &f0);
    double at0 = p->integrated ? nrxi_net_spline_area(p, k0, f0) : 0.0;
    for (i = 0; i < n; i++) {
        float f, value, slope;
        size_t k = nrxi_net_spline_cell(p, t[i], &f);
        slope = (p->c[k + 1] - p->c[k]) / p->step;
        value = p->c[k] + f * (p->c[k + 1] - p->c[k]);
        if (p->integrated) {
            if (z) z[i] = (float)(nrxi_net_spline_area(p, k, f) - at0);
            if (d1) d1[i] = value;
            if (d2) d2[i] = slope;
        } else {
            if (z) z[i] = value;
            if (d1) d1[i] = slope;
            if (d2) d2[i] = 0.0f;
        }
    }
}

/* grad[knots] += derivatives of  sum g z(t) + tg z'(t) v. */
NRXI_FN void nrxi_net_spline_grad(const nrxi_net_spline *p, size_t n, const float *t, const float *v,
    const float *g, const float *tg, float *grad)
{
    float f0, h = p->step;
    size_t i, j, k0 = nrxi_net_spline_cell(p, 0.0f, &f0);
    for (i = 0; i < n; i++) {
        float f, linear = 0, slope = 0;
        size_t k = nrxi_net_spline_cell(p, t[i], &f);
        if (p->integrated) {
            if (g) {
                for (j = 0; j < k; j++) { grad[j] += 0.5f * h * g[i]; grad[j + 1] += 0.5f * h * g[i]; }
                grad[k] += g[i] * h * (f - 0.5f * f * f);
                grad[k + 1] += g[i] * h * 0.5f * f * f;
                for (j = 0; j < k0; j++) { grad[j] -= 0.5f * h * g[i]; grad[j + 1] -= 0.5f * h * g[i]; }
                grad[k0] -= g[i] * h * (f0 - 0.5f * f0 * f0);
                grad[k0 + 1] -= g[i] * h * 0.5f * f0 * f0;
            }
            if (tg) linear = tg[i] * v[i];
        } else {
            if (g) linear = g[i];
            if (tg) slope = tg[i] * v[i];
        }
        grad[k] += linear * (1 - f) - slope / h;
        grad[k + 1] += linear * f + slope / h;
    }
}

/* ---- Fourier transforms of any length: n times the sum of its prime factors (the large fft block stays out)
   ---- */

/* out = transform of the n complex numbers in[0], in[step], ...; root[k] = exp(-2 pi i k / total), n divides
   total. tmp: as many numbers as the largest prime factor. */
NRXI_FN void nrxi_net_fft(size_t n, size_t step, const float *in, float *out, const float *root,
    size_t total, int inverse, float *tmp)
{
    size_t p = 2, m, k, r, q;
    float sign = inverse ? -1.0f : 1.0f;
    if (n == 1) { out[0] = in[0]; out[1] = in[1]; return; }
    while (n % p) p = p * p > n ? n : p + 1;
    m = n / p;
    for (r = 0; r < p; r++)
        nrxi_net_fft(m, step * p, in + 2 * r * step, out + 2 * r * m, root, total, inverse, tmp);
    for (k = 0; k < m; k++) {
        float *o = out + 2 * k;
        for (r = 0; r < p; r++) {
            const float *w = root + 2 * (r * k * (total / n)), *z = o + 2 * r * m;
            tmp[2 * r] = z[0] * w[0] - sign * z[1] * w[1];
            tmp[2 * r + 1] = z[1] * w[0] + sign * z[0] * w[1];
        }
        if (p == 2) {
            o[0] = tmp[0] + tmp[2]; o[1] = tmp[1] + tmp[3];
            o[2 * m] = tmp[0] - tmp[2]; o[2 * m + 1] = tmp[1] - tmp[3];
            continue;
        }
        for (q = 0; q < p; q++) {
            float re = tmp[0], im = tmp[1];
            for (r = 1; r < p; r++) {
                const float *w = root + 2 * (r * q % p * (total / p));
                re += tmp[2 * r] * w[0] - sign * tmp[2 * r + 1] * w[1];
                im += tmp[2 * r + 1] * w[0] + sign * tmp[2 * r] * w[1];
            }
            o[2 * q * m] = re;
            o[2 * q * m + 1] = im;
        }
    }
}

NRXI_FN size_t nrxi_net_fft2_floats(size_t h, size_t w) { return 2 * (h + w) + 4 * (h > w ? h : w); }

/* Fills the roots of unity that stand first in work. */
NRXI_FN void nrxi_net_fft2_init(size_t h, size_t w, float *work)
{
    size_t k;
    for (k = 0; k < h + w; k++) {
        double a = -2 * NRX_PI * (k < h ? (double)k / (double)h : (double)(k - h) / (double)w);
        work[2 * k] = (float)cos(a);
        work[2 * k + 1] = (float)sin(a);
    }
}

/* In place on h x w complex numbers, unnormalised. */
NRXI_FN void nrxi_net_fft2(size_t h, size_t w, float *z, int inverse, float *work)
{
    float *line = work + 2 * (h + w), *tmp = line + 2 * (h > w ? h : w);
    size_t y, x;
    for (y = 0; y < h; y++) {
        nrxi_net_fft(w, 1, z + 2 * y * w, line, work + 2 * h, w, inverse, tmp);
        memcpy(z + 2 * y * w, line, 2 * w * sizeof *z);
    }
    for (x = 0; x < w && h > 1; x++) {
        nrxi_net_fft(h, w, z + 2 * x, line, work, h, inverse, tmp);
        for (y = 0; y < h; y++) { z[2 * (y * w + x)] = line[2 * y]; z[2 * (y * w + x) + 1] = line[2 * y + 1];
            }
    }
}

/* ---- planning ---- */

NRXI_FN int nrxi_net_out(const nrx_net *net) { return net->output >= 0 ? net->output : (int)net->layers - 1; }

/* Parameter k of layer l as the layer uses it (parametrizations applied by nrxi_net_refresh). */
NRXI_FN const float *nrxi_net_weight(const nrx_net_plan *p, const nrxi_net_layer *l, int k)
{
    const nrxi_net_param *q;
    if (l->param[k] < 0) return NULL;
    q = p->net->param + l->param[k];
    return (q->transform ? p->weff : p->net->theta) + q->offset;
}

NRXI_FN void nrxi_net_transform(const nrxi_net_param *q, const float *from, float *to)
{
    size_t r, c, i, n = q->rows * q->cols, area;
    switch (q->transform) {
    case NRX_NET_W_ZERO_MEAN: /* each spatial filter */
        area = q->ndim == 4 ? q->shape[2] * q->shape[3] : q->cols;
        for (r = 0; r < n / area; r++) {
            double mean = 0;
            for (c = 0; c < area; c++) mean += (double)from[r * area + c];
            mean /= (double)area;
            for (c = 0; c < area; c++) to[r * area + c] = (float)((double)from[r * area + c] - mean);
        }
        break;
    case NRX_NET_W_EXP: for (i = 0; i < n; i++) to[i] = expf(from[i]); break;
    case NRX_NET_W_SOFTPLUS: for (i = 0; i < n; i++) to[i] = nrxi_net_softplus1(from[i]); break;
    default: break;
    }
}

/* grad += what the gradient g of the transformed weights says about the stored ones. */
NRXI_FN void nrxi_net_transform_grad(const nrxi_net_param *q, const float *stored, const float *g,
    float *grad)
{
    size_t r, c, i, n = q->rows * q->cols, area;
    switch (q->transform) {
    case NRX_NET_W_ZERO_MEAN:
        area = q->ndim == 4 ? q->shape[2] * q->shape[3] : q->cols;
        for (r = 0; r < n / area; r++) {
            double mean = 0;
            for (c = 0; c < area; c++) mean += (double)g[r * area + c];
            mean /= (double)area;
            for (c = 0; c < area; c++) grad[r * area + c] += (float)((double)g[r * area + c] - mean);
        }
        break;
    case NRX_NET_W_EXP: for (i = 0; i < n; i++) grad[i] += g[i] * expf(stored[i]); break;
    case NRX_NET_W_SOFTPLUS: for (i = 0; i < n; i++) grad[i] += g[i] * nrxi_net_sigmoid1(stored[i]); break;
    default: for (i = 0; i < n; i++) grad[i] += g[i]; break;
    }
}

NRXI_FN void nrxi_net_refresh(nrx_net_plan *p)
{
    size_t i;
    for (i = 0; i < p->net->params; i++) {
        const nrxi_net_param *q = p->net->param + i;
        if (q->transform) nrxi_net_transform(q, p->net->theta + q->offset, p->weff + q->offset);
    }
}

/* The convolution behind a layer; for a transposed one its adjoint's, whose input is the layer's output. */
NRXI_FN int nrxi_net_layer_conv(const nrx_net_plan *p, size_t i, nrxi_net_conv *g)
{
    const nrxi_net_layer *l = p->net->layer + i;
    const nrxi_net_map *in = p->map + l->in[0], *out = p->map + i;
    if (l->kind == NRXI_NET_DENSE) { /* feature by feature it is a 1 x 1 convolution */
        nrxi_net_layer one = *l;
        one.kh = one.kw = one.stride = one.dilation = one.groups = 1;
        one.pad_y = one.pad_x = 0;
        one.padding = NRX_NET_PAD_ZERO;
        return nrxi_net_conv_setup(g, &one, 1, in->c, l->channels, 1, p->batch);
    }
    if (l->kind == NRXI_NET_CONV) return nrxi_net_conv_setup(g, l, p->n, in->c, l->channels, in->h, in->w);
    return nrxi_net_conv_setup(g, l, p->n, l->channels, in->c, out->h, out->w) && g->oh == in->h
        && g->ow == in->w;
}

/* Frequencies of a spectral convolution: rows (both signs) times columns. */
NRXI_FN size_t nrxi_net_modes(const nrxi_net_layer *l) { return (l->kh ? 2 * l->kh : 1) * l->kw; }

/* Shape of node i from its inputs; NULL, or what is wrong. */
NRXI_FN const char *nrxi_net_shape(nrx_net_plan *p, size_t i)
{
    const nrxi_net_layer *l = p->net->layer + i;
    const nrxi_net_map *a = p->map + (l->in[0] < 0 ? 0 : l->in[0]),
        *b = p->map + (l->in[1] < 0 ? 0 : l->in[1]);
    nrxi_net_map *o = p->map + i;
    nrxi_net_conv g;
    o->c = l->channels;
    o->h = a->h;
    o->w = a->w;
    switch (l->kind) {
    case NRXI_NET_CONV:
        if (!nrxi_net_conv_setup(&g, l, p->n, a->c, l->channels, a->h,
            a->w)) return "the kernel does not fit the image";
        o->h = g.oh; o->w = g.ow;
        break;
    case NRXI_NET_CONVT:
        o->h = (a->h - 1) * l->stride + (l->kh - 1) * l->dilation + 1 + l->out_pad;
        o->w = (a->w - 1) * l->stride + (l->kw - 1) * l->dilation + 1 + (l->kw > 1 || l->stride > 1
            ? l->out_pad : 0);
        if (o->h <= 2 * l->pad_y || o->w <= 2 * l->pad_x) return "the padding eats the whole output";
        o->h -= 2 * l->pad_y; o->w -= 2 * l->pad_x;
        if (!nrxi_net_layer_conv(p, i, &g)) return "the transposed kernel does not fit the image";
        break;
    case NRXI_NET_DENSE:
        if ((p->batch ? a->c : a->size) != l->first) return "its input has another size";
        o->h = 1;
        o->w = p->batch ? p->batch : 1;
        break;
    case NRXI_NET_ADD:
        if (l->in[1] < 0) break;
        if (!((b->c == a->c && b->h == a->h && b->w == a->w) || (b->c == 1 && b->h == a->h && b->w == a->w)
            || (b->c == a->c && b->h == 1 && b->w == 1))) return "its two inputs differ in size";
        break;
    case NRXI_NET_MUL:
        if (b->c != a->c || b->h != a->h || b->w != a->w) return "its two inputs differ in size";
        break;
    case NRXI_NET_GRID:
        if (b->c != 2) return "its grid has not two channels";
        o->h = b->h; o->w = b->w;
        break;
    case NRXI_NET_SPECTRAL:
        if (2 * l->kh > a->h || 2 * (l->kw - 1) > a->w) return "it has fewer frequencies than the layer";
        break;
    case NRXI_NET_CONCAT: if (b->h != a->h || b->w != a->w) return "its two inputs differ in size"; break;
    case NRXI_NET_AVGPOOL: case NRXI_NET_MAXPOOL:
        o->h = a->h / l->first; o->w = a->w / l->first;
        if (o->h == 0 || o->w == 0) return "the image is smaller than the pooling block";
        break;
    case NRXI_NET_SUM: case NRXI_NET_MEAN: case NRXI_NET_SPATIAL_MEAN:
        o->h = 1;
        o->w = p->batch ? p->batch : 1;
        break;
    case NRXI_NET_RESIZE:
        if (!nrxi_mul_ok(a->h, l->first, &o->h) || !nrxi_mul_ok(a->w, l->first,
            &o->w)) return "its output is too large";
        break;
    case NRXI_NET_OPERATOR:
        if (a->h * a->w != (l->adjoint ? l->op.rows : l->op.cols)) return "the operator expects another image size";
        o->h = l->op_h; o->w = l->op_w;
        break;
    default: break;
    }
    if (!nrxi_mul_ok(o->c, o->h, &o->size) || !nrxi_mul_ok(o->size, o->w, &o->size)
        || o->size > (size_t)-1 / 64 / p->n) return "its output is too large";
    return NULL;
}

/* First-fit offsets: node i is alive from start[i] to end[i] (ticks); grows *total. */
NRXI_FN size_t nrxi_net_place_buffer(const nrx_net_plan *p, size_t node, size_t need, const size_t *start,
    const size_t *end, int adjoint)
{
    size_t at = 0, j, moved = 1, n = p->net->layers;
    while (moved)
        for (moved = 0, j = 0; j < n; j++) {
            size_t o = adjoint ? p->map[j].adj : p->map[j].val, len = p->map[j].size * p->n + NRXI_NET_SLACK;
            if (j == node || o == (size_t)-1 || start[j] > end[node] || start[node] > end[j]) continue;
            if (at < o + len && o < at + need) { at = o + len; moved = 1; }
        }
    return at;
}

/* Dense layers and functions of single numbers only, on enough samples: then the batch is the fast
   direction. */
NRXI_FN int nrxi_net_is_dense(const nrx_net *net, const nrx_net_plan_desc *d, size_t n)
{
    size_t i, dense = 0;
    if (n < 8 || d->height > 1 || d->width > 1) return 0;
    for (i = 1; i < net->layers; i++) {
        const nrxi_net_layer *l = net->layer + i;
        switch (l->kind) {
        case NRXI_NET_DENSE: dense++; if (l->first != net->layer[l->in[0]].channels) return 0; break;
        case NRXI_NET_ADD: if (l->in[1] >= 0 && net->layer[l->in[1]].channels != l->channels) return 0; break;
        case NRXI_NET_ACT: case NRXI_NET_RIDGE: case NRXI_NET_SPLINE: case NRXI_NET_BIAS: case NRXI_NET_GAIN:
        case NRXI_NET_MUL: case NRXI_NET_CONCAT: case NRXI_NET_SLICE: case NRXI_NET_SUM: case NRXI_NET_MEAN:
        case NRXI_NET_BATCHNORM: break;
        default: return 0;
        }
    }
    return dense > 0;
}

/* Numbers per sample of a node. */
NRXI_FN size_t nrxi_net_sample(const nrx_net_plan *p, int node) { return p->map[node].size / (p->batch
    ? p->batch : 1); }

/* From the caller's [n][c][h][w] into the plan's order, and back; both sides n*c*h*w numbers. */
NRXI_FN void nrxi_net_take(const nrx_net_plan *p, int node, const float *from, float *to)
{
    size_t c = p->map[node].c, i, b;
    if (!p->batch || c == 1) { memcpy(to, from, p->n * p->map[node].size * sizeof *to); return; }
    for (i = 0; i < c; i++) for (b = 0; b < p->batch; b++) to[i * p->batch + b] = from[b * c + i];
}
NRXI_FN void nrxi_net_hand(const nrx_net_plan *p, int node, const float *from, float *to)
{
    size_t c = p->map[node].c, i, b;
    if (!p->batch || c == 1) { memcpy(to, from, p->n * p->map[node].size * sizeof *to); return; }
    for (b = 0; b < p->batch; b++) for (i = 0; i < c; i++) to[b * c + i] = from[i * p->batch + b];
}

/* Shapes, offsets and sizes. */
NRXI_FN nrx_status nrxi_net_plan_layout(nrx_net_plan *p, const nrx_net_plan_desc *d, size_t *start,
    size_t *end, const char *who)
{
    const nrx_net *net = p->net;
    size_t i, k, total = 0, n = net->layers, top, out = (size_t)nrxi_net_out(net);
    p->scratch_size = NRXI_NET_SLACK; p->packed_size = 4; p->off_size = 4; p->gw_size = 1;
    for (i = 0; i < n; i++) {
        const nrxi_net_layer *l = net->layer + i;
        const char *wrong = NULL;
        nrxi_net_map *m = p->map + i;
        nrxi_net_conv g;
        if (i == 0) {
            m->c = l->channels; m->h = d->height ? d->height : 1;
                m->w = p->batch ? p->batch : d->width ? d->width : 1;
            if (!nrxi_mul_ok(m->c, m->h, &m->size) || !nrxi_mul_ok(m->size, m->w, &m->size)
                || m->size > (size_t)-1 / 64 / p->n) wrong = "the input is too large";
        } else wrong = nrxi_net_shape(p, i);
        if (wrong)
            return nrxi_fail(&p->env, NRX_E_SHAPE, "%s: layer %s (node %zu) on input %zux%zux%zu: %s", who,
                l->name, i, i ? p->map[l->in[0]].c : m->c, i ? p->map[l->in[0]].h : m->h,
                    i ? p->map[l->in[0]].w : m->w, wrong);
        if ((l->kind == NRXI_NET_CONV || l->kind == NRXI_NET_CONVT || (p->batch
            && l->kind == NRXI_NET_DENSE)) && nrxi_net_layer_conv(p, i, &g)) nrxi_net_conv_needs(&g,
                &p->scratch_size, &p->packed_size, &p->off_size);
        if (l->kind == NRXI_NET_DENSE && !p->batch) {
            size_t wide = l->first > l->channels ? l->first : l->channels;
            if (wide < p->n) wide = p->n;
            if (p->scratch_size < l->first * l->channels + NRXI_NET_SLACK) p->scratch_size = l->first
                * l->channels
                + NRXI_NET_SLACK;
            if (p->packed_size < 4 * wide) p->packed_size = 4 * wide;
            if (p->off_size < wide) p->off_size = wide;
        }
        if (l->kind == NRXI_NET_SPECTRAL) {
            size_t modes = nrxi_net_modes(l) * 2, need;
            if (!nrxi_mul_ok(modes, p->map[l->in[0]].c + l->channels, &need) || !nrxi_add_ok(need,
                2 * m->h * m->w + nrxi_net_fft2_floats(m->h, m->w) + NRXI_NET_SLACK, &need))
                return nrxi_fail(&p->env, NRX_E_RANGE, "%s: workspace size overflows", who);
            if (p->scratch_size < need) p->scratch_size = need;
        }
        if (l->kind == NRXI_NET_OPERATOR && p->scratch_size < (l->op.rows > l->op.cols ? l->op.rows
            : l->op.cols) + NRXI_NET_SLACK)
            p->scratch_size = (l->op.rows > l->op.cols ? l->op.rows : l->op.cols) + NRXI_NET_SLACK;
        for (k = 0; k < 4; k++)
            if (l->param[k] >= 0) {
                size_t len = net->param[l->param[k]].rows * net->param[l->param[k]].cols;
                if (p->gw_size < len) p->gw_size = len;
            }
        m->val = m->tan = m->adj = m->tadj = (size_t)-1;
        start[i] = i;
        end[i] = i;
        for (k = 0; k < 2; k++) if (l->in[k] >= 0) end[l->in[k]] = i;
    }
    end[out] = n;
    if (p->mode != NRX_NET_INFER) for (i = 0; i < n; i++) end[i] = n; /* backward needs every value */
    for (i = 0; i < n; i++) {
        size_t need = p->map[i].size * p->n + NRXI_NET_SLACK, o = nrxi_net_place_buffer(p, i, need, start,
            end, 0);
        p->map[i].val = o;
        if (!nrxi_add_ok(o, need, &top)) return nrxi_fail(&p->env, NRX_E_RANGE,
            "%s: workspace size overflows", who);
        if (total < top) total = top;
    }
    /* adjoint of i: from its last consumer (ticks run backwards) to i itself */
    if (p->mode == NRX_NET_GRADIENT) {
        size_t base = total;
        for (i = 0; i < n; i++) { start[i] = n - i; end[i] = n - i; }
        for (i = 0; i < n; i++) for (k = 0; k < 2; k++) {
            int from = net->layer[i].in[k];
            if (from >= 0 && n - i < start[from]) start[from] = n - i;
        }
        start[out] = 0;
        for (i = n; i-- > 0;) p->map[i].adj = nrxi_net_place_buffer(p, i, p->map[i].size * p->n
            + NRXI_NET_SLACK, start, end, 1);
        for (i = 0; i < n; i++) {
            p->map[i].adj += base;
            top = p->map[i].adj + p->map[i].size * p->n + NRXI_NET_SLACK;
            if (total < top) total = top;
        }
    } else if (p->mode == NRX_NET_PAIR) {
        for (i = 0; i < n; i++) {
            size_t need = p->map[i].size * p->n + NRXI_NET_SLACK;
            p->map[i].tan = total;
            p->map[i].adj = total + need;
            p->map[i].tadj = total + 2 * need;
            if (total > (size_t)-1 / 64 - 3 * need) return nrxi_fail(&p->env, NRX_E_RANGE,
                "%s: workspace size overflows", who);
            total += 3 * need;
        }
    }
    p->floats = total;
    return NRX_OK;
}

NRXI_FN size_t nrxi_net_round64(size_t n) { return (n + 63u) & ~(size_t)63u; }

/* Bytes of everything but the plan's own layout arrays. */
NRXI_FN size_t nrxi_net_plan_bytes(const nrx_net_plan *p)
{
    size_t n = p->net->layers, weff = 0, i;
    for (i = 0; i < p->net->params; i++) if (p->net->param[i].transform) weff = p->net->count;
    return nrxi_net_round64(sizeof *p) + nrxi_net_round64(n * sizeof(nrxi_net_map)) + nrxi_net_round64(2 * n)
        + nrxi_net_round64(p->off_size * sizeof(size_t))
         + nrxi_net_round64((p->floats + NRXI_NET_SLACK) * 4) + nrxi_net_round64(p->scratch_size * 4)
             + nrxi_net_round64(p->packed_size * 4)
         + nrxi_net_round64((p->gw_size + NRXI_NET_SLACK) * 4) + nrxi_net_round64((weff + NRXI_NET_SLACK) * 4)
             + nrxi_net_round64(2 * n * sizeof(size_t));
}

/* Lays a plan out over temporary arrays (freed by the caller), to know its size. */
NRXI_FN nrx_status nrxi_net_plan_measure(const nrx_net *net, const nrx_net_plan_desc *d, nrx_net_plan *p,
    void **arrays, const char *who)
{
    size_t n, *ticks;
    memset(p, 0, sizeof *p);
    *arrays = NULL;
    if (!net) return nrxi_fail(d ? &d->env : NULL, NRX_E_ARG, "%s: net is NULL", who);
    p->net = net;
    if (d) p->env = d->env;
    if (!p->env.alloc) { p->env.alloc = net->env.alloc; p->env.alloc_user = net->env.alloc_user; }
    if (!p->env.log) { p->env.log = net->env.log; p->env.log_user = net->env.log_user; }
    if (!p->env.parallel_for) { p->env.parallel_for = net->env.parallel_for;
        p->env.parallel_user = net->env.parallel_user; }
    if (net->status != NRX_OK) return nrxi_fail(&p->env, net->status,
        "%s: a builder of this network failed before", who);
    if (!d || d->mode < 0 || d->mode > NRX_NET_PAIR) return nrxi_fail(&p->env, NRX_E_ARG, "%s: %s", who,
        d ? "mode is not NRX_NET_INFER, _GRADIENT or _PAIR" : "desc is NULL");
    p->n = d->n ? d->n : 1;
    if (nrxi_net_is_dense(net, d, p->n)) { p->batch = p->n; p->n = 1; }
    p->mode = d->mode;
    p->output = nrxi_net_out(net);
    n = net->layers;
    ticks = (size_t *)nrxi_alloc(&p->env, n, 2 * sizeof(size_t) + sizeof(nrxi_net_map));
    if (!ticks) return nrxi_fail(&p->env, NRX_E_NOMEM, "%s: no memory for the layout of %zu nodes", who, n);
    *arrays = ticks;
    p->map = (nrxi_net_map *)(void *)(ticks + 2 * n);
    return nrxi_net_plan_layout(p, d, ticks, ticks + n, who);
}

NRX_DEF size_t nrx_net_plan_size(const nrx_net *net, const nrx_net_plan_desc *desc)
{
    nrx_net_plan p;
    void *arrays;
    nrx_status s = nrxi_net_plan_measure(net, desc, &p, &arrays, "nrx_net_plan_size");
    size_t bytes = s == NRX_OK ? nrxi_net_plan_bytes(&p) : 0;
    nrxi_free(&p.env, arrays);
    return bytes;
}

NRX_DEF nrx_status nrx_net_plan_create(const nrx_net *net, const nrx_net_plan_desc *desc, nrx_net_plan **plan)
{
    nrx_net_plan m, *p;
    void *arrays;
    unsigned char *at;
    nrx_status s;
    size_t n, bytes;
    if (!plan) return nrxi_fail(desc ? &desc->env : NULL, NRX_E_ARG, "nrx_net_plan_create: plan is NULL");
    *plan = NULL;
    s = nrxi_net_plan_measure(net, desc, &m, &arrays, "nrx_net_plan_create");
    if (s != NRX_OK) { nrxi_free(&m.env, arrays); return s; }
    n = net->layers;
    bytes = nrxi_net_plan_bytes(&m);
    m.owned = desc->memory == NULL;
    if (!m.owned && (desc->memory_size < bytes || ((uintptr_t)desc->memory & 63u) != 0)) {
        nrxi_free(&m.env, arrays);
        return nrxi_fail(&m.env, NRX_E_ARG,
            "nrx_net_plan_create: memory of %zu bytes, needs %zu aligned to 64", desc->memory_size, bytes);
    }
    at = (unsigned char *)(m.owned ? nrxi_alloc(&m.env, bytes, 1) : desc->memory);
    if (!at) { nrxi_free(&m.env, arrays); return nrxi_fail(&m.env, NRX_E_NOMEM,
        "nrx_net_plan_create: no memory for %zu bytes", bytes); }
    p = (nrx_net_plan *)(void *)at;           at += nrxi_net_round64(sizeof *p);
    memcpy(at, m.map, n * sizeof(nrxi_net_map));
    m.map = (nrxi_net_map *)(void *)at;           at += nrxi_net_round64(n * sizeof(nrxi_net_map));
    m.has = at; m.thas = at + n;              at += nrxi_net_round64(2 * n);
    m.off = (size_t *)(void *)at;             at += nrxi_net_round64(m.off_size * sizeof(size_t));
    m.base = (float *)(void *)at;             at += nrxi_net_round64((m.floats + NRXI_NET_SLACK) * 4);
    m.scratch = (float *)(void *)at;          at += nrxi_net_round64(m.scratch_size * 4);
    m.packed = (float *)(void *)at;           at += nrxi_net_round64(m.packed_size * 4);
    m.gw = (float *)(void *)at;               at += nrxi_net_round64((m.gw_size + NRXI_NET_SLACK) * 4);
    m.weff = (float *)(void *)at;
    nrxi_free(&m.env, arrays);
    *p = m;
    *plan = p;
    return NRX_OK;
}

NRX_DEF void nrx_net_plan_free(nrx_net_plan *plan)
{
    nrx_env env;
    if (!plan || !plan->owned) return;
    env = plan->env;
    nrxi_free(&env, plan);
}

NRX_DEF void nrx_net_plan_output_shape(const nrx_net_plan *plan, size_t shape[4])
{
    const nrxi_net_map *m = plan->map + plan->output;
    shape[0] = plan->batch ? plan->batch : plan->n;
    shape[1] = m->c;
    shape[2] = m->h;
    shape[3] = plan->batch ? 1 : m->w;
}

/* ---- layers ----
   A linear layer gives apply, adjoint and weight gradient; values and tangents share all three. The other
   layers
      give the same
   for a pair (value, tangent) with their first and second derivatives. */

NRXI_FN int nrxi_net_is_linear(int kind)
{
    return kind != NRXI_NET_GRID && kind != NRXI_NET_ACT && kind != NRXI_NET_RIDGE && kind != NRXI_NET_SPLINE
        && kind != NRXI_NET_MUL
        && kind != NRXI_NET_MAXPOOL && kind != NRXI_NET_GROUPNORM;
}

NRXI_FN float nrxi_net_batchnorm_gain(const nrx_net_plan *p, const nrxi_net_layer *l, size_t c)
{
    return nrxi_net_weight(p, l, 0)[c] / sqrtf(nrxi_net_weight(p, l, 3)[c] + (float)l->a);
}

/* Bilinear enlargement with half-pixel centres: output position o reads cells i0, i1 with weights 1-f, f. */
NRXI_FN void nrxi_net_bilinear(size_t o, size_t factor, size_t n, size_t *i0, size_t *i1, float *f)
{
    double u = ((double)o + 0.5) / (double)factor - 0.5;
    if (u < 0) u = 0;
    *i0 = (size_t)u;
    if (*i0 > n - 1) *i0 = n - 1;
    *i1 = *i0 + 1 < n ? *i0 + 1 : *i0;
    *f = (float)(u - (double)*i0);
}

NRXI_FN nrx_status nrxi_net_operator_run(nrx_net_plan *p, const nrxi_net_layer *l, int transpose,
    const float *x, size_t in_size, float *y, size_t out_size, int add)
{
    size_t i, k, maps = p->n * l->channels;
    int adjoint = l->adjoint != transpose;
    for (i = 0; i < maps; i++) {
        nrx_status s = adjoint ? l->op.adjoint(l->op.user, x + i * in_size, p->scratch)
            : l->op.apply(l->op.user, x + i * in_size, p->scratch);
        float *to = y + i * out_size, scale = (float)l->a;
        if (s != NRX_OK) return s;
        if (add) for (k = 0; k < out_size; k++) to[k] += scale * p->scratch[k];
        else for (k = 0; k < out_size; k++) to[k] = scale * p->scratch[k];
    }
    return NRX_OK;
}

/* ---- spectral convolution: y = A^T C W A x / (h w) with A the kept part of the Fourier transform of a real
   map, A^T its adjoint (a real inverse transform of what is kept), and C = 2 where a conjugate partner is not
   among the columns ---- */

/* A: kept frequencies of one real map. */
NRXI_FN void nrxi_net_analyse(const nrxi_net_layer *l, size_t h, size_t w, const float *x, float *spectrum,
    float *z, float *work)
{
    size_t rows = nrxi_net_modes(l) / l->kw, k, j;
    for (k = 0; k < h * w; k++) { z[2 * k] = x[k]; z[2 * k + 1] = 0; }
    nrxi_net_fft2(h, w, z, 0, work);
    for (j = 0; j < rows; j++)
        memcpy(spectrum + 2 * j * l->kw, z + 2 * (j < rows - l->kh ? j : h - rows + j) * w,
            2 * l->kw * sizeof *z);
}

/* x (+)= A^T: real part of the inverse transform. */
NRXI_FN void nrxi_net_synthesise(const nrxi_net_layer *l, size_t h, size_t w, const float *spectrum,
    float *x, int add, float *z, float *work)
{
    size_t rows = nrxi_net_modes(l) / l->kw, k, j;
    memset(z, 0, 2 * h * w * sizeof *z);
    for (j = 0; j < rows; j++)
        memcpy(z + 2 * (j < rows - l->kh ? j : h - rows + j) * w, spectrum + 2 * j * l->kw,
            2 * l->kw * sizeof *z);
    nrxi_net_fft2(h, w, z, 1, work);
    if (add) for (k = 0; k < h * w; k++) x[k] += z[2 * k];
    else for (k = 0; k < h * w; k++) x[k] = z[2 * k];
}

/* Applies the layer, its adjoint, or (gw) adds the weight gradient of <gy, L x>; x, y: its input and output
   side. */
NRXI_FN void nrxi_net_spectral(nrx_net_plan *p, size_t i, const float *x, const float *y, float *to,
    int adjoint, int add, float *gw)
{
    const nrxi_net_layer *l = p->net->layer + i;
    const nrxi_net_map *a = p->map + l->in[0], *o = p->map + i;
    const float *w = nrxi_net_weight(p, l, 0);
    size_t ci = a->c, co = o->c, modes = nrxi_net_modes(l), h = o->h, wd = o->w, area = h * wd, s, c, d, k;
    float *work = p->scratch, *z = work + nrxi_net_fft2_floats(h, wd), *xs = z + 2 * area,
        *ys = xs + 2 * ci * modes;
    nrxi_net_fft2_init(h, wd, work);
    for (s = 0; s < p->n; s++) {
        if (x) for (c = 0; c < ci; c++)
            nrxi_net_analyse(l, h, wd, x + (s * ci + c) * area, xs + 2 * c * modes, z, work);
        if (y) for (c = 0; c < co; c++)
            nrxi_net_analyse(l, h, wd, y + (s * co + c) * area, ys + 2 * c * modes, z, work);
        if (to) memset(adjoint ? xs : ys, 0, 2 * (adjoint ? ci : co) * modes * sizeof *xs);
        for (d = 0; d < co; d++)
            for (c = 0; c < ci; c++)
                for (k = 0; k < modes; k++) {
                    size_t at = 2 * ((d * ci + c) * modes + k), kx = k % l->kw;
                    float f = (kx == 0 || 2 * kx == wd ? 1.0f : 2.0f) / (float)area;
                    float *u = xs + 2 * (c * modes + k), *v = ys + 2 * (d * modes + k);
                    if (gw) { gw[at] += f * (v[0] * u[0] + v[1] * u[1]);
                        gw[at + 1] += f * (v[1] * u[0] - v[0] * u[1]); }
                    else if (adjoint) {
                        u[0] += f * (w[at] * v[0] + w[at + 1] * v[1]);
                        u[1] += f * (w[at] * v[1] - w[at + 1] * v[0]);
                    } else {
                        v[0] += f * (w[at] * u[0] - w[at + 1] * u[1]);
                        v[1] += f * (w[at] * u[1] + w[at + 1] * u[0]);
                    }
                }
        for (c = 0; to && c < (adjoint ? ci : co); c++)
            nrxi_net_synthesise(l, h, wd, (adjoint ? xs : ys) + 2 * c * modes, to + (s * (adjoint ? ci : co)
                + c) * area, add, z, work);
    }
}

/* ---- grid sampling ---- */

/* The four pixels around a point of the grid, zero outside, and the fractions between them. */
typedef struct nrxi_net_cell { ptrdiff_t at[4]; float fx, fy; } nrxi_net_cell;

NRXI_FN nrxi_net_cell nrxi_net_cell_of(float gx, float gy, size_t h, size_t w)
{
    nrxi_net_cell c;
    float x = 0.5f * ((gx + 1) * (float)w - 1), y = 0.5f * ((gy + 1) * (float)h - 1);
    ptrdiff_t x0, y0, k;
    if (!(x > -2)) x = -2; /* from there on all corners are outside, NaN included */
    if (!(y > -2)) y = -2;
    if (x > (float)w) x = (float)w;
    if (y > (float)h) y = (float)h;
    x0 = (ptrdiff_t)floorf(x);
    y0 = (ptrdiff_t)floorf(y);
    c.fx = x - (float)x0;
    c.fy = y - (float)y0;
    for (k = 0; k < 4; k++) {
        ptrdiff_t px = x0 + k % 2, py = y0 + k / 2;
        c.at[k] = px >= 0 && py >= 0 && px < (ptrdiff_t)w && py < (ptrdiff_t)h ? py * (ptrdiff_t)w + px : -1;
    }
    return c;
}

/* out: value, d/dx, d/dy and d2/dxdy (in pixels) of the interpolated image. */
NRXI_FN void nrxi_net_cell_read(const nrxi_net_cell *c, const float *img, float out[4])
{
    float v[4], fx = c->fx, fy = c->fy;
    int k;
    for (k = 0; k < 4; k++) v[k] = c->at[k] < 0 ? 0.0f : img[c->at[k]];
    out[1] = (1 - fy) * (v[1] - v[0]) + fy * (v[3] - v[2]);
    out[2] = (1 - fx) * (v[2] - v[0]) + fx * (v[3] - v[1]);
    out[3] = v[3] - v[2] - v[1] + v[0];
    out[0] = (1 - fy) * (v[0] + fx * (v[1] - v[0])) + fy * (v[2] + fx * (v[3] - v[2]));
}

/* img += the adjoint of  a*value + b*d/dx + c*d/dy. */
NRXI_FN void nrxi_net_cell_add(const nrxi_net_cell *q, float *img, float a, float b, float c)
{
    float fx = q->fx, fy = q->fy;
    if (q->at[0] >= 0) img[q->at[0]] += a * (1 - fx) * (1 - fy) - b * (1 - fy) - c * (1 - fx);
    if (q->at[1] >= 0) img[q->at[1]] += a * fx * (1 - fy) + b * (1 - fy) - c * fx;
    if (q->at[2] >= 0) img[q->at[2]] += a * (1 - fx) * fy - b * fy + c * (1 - fx);
    if (q->at[3] >= 0) img[q->at[3]] += a * fx * fy + b * fy + c * fx;
}

/* v, dg: tangents of image and grid (NULL: values are asked for). */
NRXI_FN void nrxi_net_grid_forward(const nrx_net_plan *p, size_t i, const float *x, const float *g,
    const float *v, const float *dg, float *y)
{
    const nrxi_net_map *o = p->map + i, *a = p->map + p->net->layer[i].in[0];
    size_t area = o->h * o->w, s, k, c;
    float sx = 0.5f * (float)a->w, sy = 0.5f * (float)a->h, r[4], t[4];
    for (s = 0; s < p->n; s++)
        for (k = 0; k < area; k++) {
            size_t at = 2 * s * area + k;
            nrxi_net_cell q = nrxi_net_cell_of(g[at], g[at + area], a->h, a->w);
            for (c = 0; c < o->c; c++) {
                size_t plane = (s * o->c + c) * a->h * a->w;
                float *to = y + (s * o->c + c) * area + k;
                nrxi_net_cell_read(&q, x + plane, r);
                *to = r[0];
                if (!v) continue;
                nrxi_net_cell_read(&q, v + plane, t);
                *to = t[0] + sx * dg[at] * r[1] + sy * dg[at + area] * r[2];
            }
        }
}

/* adj, tadj: adjoints of value and tangent (either NULL); gx, gg get those of image and grid, tx, tg (NULL
   when not wanted) those of their tangents. */
NRXI_FN void nrxi_net_grid_reverse(nrx_net_plan *p, size_t i, const float *adj, const float *tadj, float *gx,
    float *gg, float *tx, float *tg)
{
    const nrxi_net_layer *l = p->net->layer + i;
    const nrxi_net_map *o = p->map + i, *a = p->map + l->in[0];
    const float *x = p->base + a->val, *g = p->base + p->map[l->in[1]].val;
    const float *v = tadj ? p->base + a->tan : NULL, *dg = tadj ? p->base + p->map[l->in[1]].tan : NULL;
    size_t area = o->h * o->w, s, k, c;
    float sx = 0.5f * (float)a->w, sy = 0.5f * (float)a->h, r[4], t[4];
    for (s = 0; s < p->n; s++)
        for (k = 0; k < area; k++) {
            size_t at = 2 * s * area + k;
            nrxi_net_cell q = nrxi_net_cell_of(g[at], g[at + area], a->h, a->w);
            float ex = dg ? sx * dg[at] : 0, ey = dg ? sy * dg[at + area] : 0;
            for (c = 0; c < o->c; c++) {
                size_t plane = (s * o->c + c) * a->h * a->w, pixel = (s * o->c + c) * area + k;
                float u = adj ? adj[pixel] : 0, w = tadj ? tadj[pixel] : 0;
                nrxi_net_cell_read(&q, x + plane, r);
                nrxi_net_cell_add(&q, gx + plane, u, w * ex, w * ey);
                gg[at] += sx * (u * r[1] + w * ey * r[3]);
                gg[at + area] += sy * (u * r[2] + w * ex * r[3]);
                if (!tadj) continue;
                nrxi_net_cell_read(&q, v + plane, t);
                gg[at] += sx * w * t[1];
                gg[at + area] += sy * w * t[2];
                if (tx) nrxi_net_cell_add(&q, tx + plane, w, 0, 0);
                if (tg) { tg[at] += sx * w * r[1]; tg[at + area] += sy * w * r[2]; }
            }
        }
}

/* y = L(x0, x1), with its constant part (bias) when `affine`. */
NRXI_FN nrx_status nrxi_net_linear_apply(nrx_net_plan *p, size_t i, const float *x0, const float *x1,
    float *y, int affine)
{
    const nrxi_net_layer *l = p->net->layer + i;
    const nrxi_net_map *a = p->map + l->in[0], *o = p->map + i;
    const float *w = nrxi_net_weight(p, l, 0), *bias = affine ? nrxi_net_weight(p, l, 1) : NULL;
    size_t n = p->n, s, c, r, k, area = o->h * o->w;
    nrxi_net_conv g;
    switch (l->kind) {
    case NRXI_NET_CONV:
        (void)nrxi_net_layer_conv(p, i, &g);
        nrxi_net_conv_forward(&p->env, &g, w, bias, x0, y, p->scratch, p->packed, p->off);
        break;
    case NRXI_NET_CONVT:
        (void)nrxi_net_layer_conv(p, i, &g);
        nrxi_net_conv_adjoint(&p->env, &g, w, x0, y, 0, p->scratch, p->packed, p->off);
        if (bias) for (s = 0; s < n * o->c; s++) for (k = 0; k < area; k++) y[s * area + k] += bias[s % o->c];
        break;
    case NRXI_NET_DENSE:
        if (p->batch) {
            (void)nrxi_net_layer_conv(p, i, &g);
            nrxi_net_conv_forward(&p->env, &g, w, bias, x0, y, p->scratch, p->packed, p->off);
            break;
        }
        nrxi_net_dense_forward(n, a->size, o->c, w, x0, y, p->scratch, p->packed, p->off);
        if (bias) for (s = 0; s < n; s++) for (c = 0; c < o->c; c++) y[s * o->c + c] += bias[c];
        break;
    case NRXI_NET_SPECTRAL: nrxi_net_spectral(p, i, x0, NULL, y, 0, 0, NULL); break;
    case NRXI_NET_BIAS: /* its only parameter is the constant */
        for (s = 0; s < n * o->c; s++) {
            float add = affine ? w[s % o->c] : 0.0f;
            for (k = 0; k < area; k++) y[s * area + k] = x0[s * area + k] + add;
        }
        break;
    case NRXI_NET_ADD: {
        float ka = (float)l->a, kb = (float)l->b;
        const nrxi_net_map *b = l->in[1] < 0 ? NULL : p->map + l->in[1];
        if (!b || b->size == o->size) { nrxi_net_blend(n * o->size, ka, x0, kb, b ? x1 : NULL, y); break; }
        for (s = 0; s < n; s++)
            for (c = 0; c < o->c; c++)
                for (k = 0; k < area; k++) {
                    size_t at = (s * o->c + c) * area + k;
                    y[at] = ka * x0[at] + kb * (b->c == o->c && b->h * b->w == 1 ? x1[s * o->c + c]
                        : x1[s * area + k]);
                }
        break;
    }
    case NRXI_NET_GAIN:
        for (s = 0; s < n * o->c; s++) {
            float f = w[l->first ? s % o->c : 0];
            for (k = 0; k < area; k++) y[s * area + k] = f * x0[s * area + k];
        }
        break;
    case NRXI_NET_CONCAT: {
        const nrxi_net_map *b = p->map + l->in[1];
        for (s = 0; s < n; s++) {
            memcpy(y + s * o->size, x0 + s * a->size, a->size * sizeof *y);
            memcpy(y + s * o->size + a->size, x1 + s * b->size, b->size * sizeof *y);
        }
        break;
    }
    case NRXI_NET_SLICE:
        for (s = 0; s < n; s++) memcpy(y + s * o->size, x0 + s * a->size + l->first * area,
            o->size * sizeof *y);
        break;
    case NRXI_NET_AVGPOOL: {
        float f = 1.0f / (float)(l->first * l->first);
        memset(y, 0, n * o->size * sizeof *y);
        for (s = 0; s < n * o->c; s++)
            for (r = 0; r < o->h * l->first; r++)
                for (k = 0; k < o->w * l->first; k++) y[s * area + r / l->first * o->w + k / l->first] += f
                    * x0[(s * a->h + r) * a->w + k];
        break;
    }
    case NRXI_NET_SUM: case NRXI_NET_MEAN:
        for (s = 0; p->batch && s < p->batch; s++) {
            double sum = 0;
            for (c = 0; c < a->c; c++) sum += (double)x0[c * p->batch + s];
            y[s] = (float)(l->kind == NRXI_NET_MEAN ? sum / (double)a->c : sum);
        }
        for (s = 0; !p->batch && s < n; s++) {
            double sum = nrxi_net_total(a->size, x0 + s * a->size);
            y[s] = (float)(l->kind == NRXI_NET_MEAN ? sum / (double)a->size : sum);
        }
        break;
    case NRXI_NET_SPATIAL_MEAN:
        for (s = 0; s < n * o->c; s++) {
            double sum = 0;
            for (k = 0; k < a->h * a->w; k++) sum += (double)x0[s * a->h * a->w + k];
            y[s] = (float)(sum / (double)(a->h * a->w));
        }
        break;
    case NRXI_NET_RESIZE:
        for (s = 0; s < n * o->c; s++)
            for (r = 0; r < o->h; r++)
                for (k = 0; k < o->w; k++) {
                    const float *img = x0 + s * a->h * a->w;
                    size_t r0, r1, k0, k1;
                    float fr, fk;
                    if (!l->adjoint) { y[s * area + r * o->w + k] = img[r / l->first * a->w + k / l->first];
                        continue; }
                    nrxi_net_bilinear(r, l->first, a->h, &r0, &r1, &fr);
                    nrxi_net_bilinear(k, l->first, a->w, &k0, &k1, &fk);
                    y[s * area + r * o->w + k] = (1 - fr) * ((1 - fk) * img[r0 * a->w + k0] + fk * img[r0
                        * a->w + k1])
                                               + fr * ((1 - fk) * img[r1 * a->w + k0] + fk * img[r1 * a->w
                                                   + k1]);
                }
        break;
    case NRXI_NET_BATCHNORM:
        for (s = 0; s < n * o->c; s++) {
            float f = nrxi_net_batchnorm_gain(p, l, s % o->c), add = affine
                ? bias[s % o->c] - f * nrxi_net_weight(p, l, 2)[s % o->c] : 0.0f;
            for (k = 0; k < area; k++) y[s * area + k] = f * x0[s * area + k] + add;
        }
        break;
    default: return nrxi_net_operator_run(p, l, 0, x0, a->h * a->w, y, area, 0);
    }
    return NRX_OK;
}

/* gx (+)= the adjoint of L in its input `slot` applied to gy. */
NRXI_FN nrx_status nrxi_net_linear_adjoint(nrx_net_plan *p, size_t i, const float *gy, int slot, float *gx,
    int add)
{
    const nrxi_net_layer *l = p->net->layer + i;
    const nrxi_net_map *a = p->map + l->in[slot], *o = p->map + i;
    const float *w = nrxi_net_weight(p, l, 0);
    size_t n = p->n, s, c, r, k, area = o->h * o->w;
    nrxi_net_conv g;
    switch (l->kind) { /* these two know how to overwrite */
    case NRXI_NET_CONV:
        (void)nrxi_net_layer_conv(p, i, &g);
        nrxi_net_conv_adjoint(&p->env, &g, w, gy, gx, add, p->scratch, p->packed, p->off);
        return NRX_OK;
    case NRXI_NET_DENSE:
        if (p->batch) {
            (void)nrxi_net_layer_conv(p, i, &g);
            nrxi_net_conv_adjoint(&p->env, &g, w, gy, gx, add, p->scratch, p->packed, p->off);
        } else nrxi_net_rows_times(n, o->c, a->size, gy, o->c, 1, w, gx, add, p->packed, p->off);
        return NRX_OK;
    case NRXI_NET_SPECTRAL: nrxi_net_spectral(p, i, NULL, gy, gx, 1, add, NULL); return NRX_OK;
    case NRXI_NET_OPERATOR: return nrxi_net_operator_run(p, l, 1, gy, area, gx, a->h * a->w, add);
    case NRXI_NET_ADD:
        if (a->size != o->size) break;
        nrxi_net_blend(n * o->size, (float)(slot ? l->b : l->a), gy, 1, add ? gx : NULL, gx);
        return NRX_OK;
    default: break;
    }
    if (!add) memset(gx, 0, n * a->size * sizeof *gx);
    switch (l->kind) {
    case NRXI_NET_CONVT: {
        /* gx += conv(gy): through a temporary only when something is already there */
        float *to = gx;
        (void)nrxi_net_layer_conv(p, i, &g);
        if (add) { /* forward writes, so keep what was there in the tail of scratch */
            size_t total = n * a->size;
            float *keep = p->scratch + (nrxi_net_conv_is_bare(&g) ? 0 : g.n * g.ci * g.ph * g.row
                + NRXI_NET_SLACK);
            memcpy(keep, gx, total * sizeof *gx);
            nrxi_net_conv_forward(&p->env, &g, w, NULL, gy, to, p->scratch, p->packed, p->off);
            for (k = 0; k < total; k++) to[k] += keep[k];
        } else nrxi_net_conv_forward(&p->env, &g, w, NULL, gy, to, p->scratch, p->packed, p->off);
        break;
    }
    case NRXI_NET_BIAS: for (k = 0; k < n * o->size; k++) gx[k] += gy[k]; break;
    case NRXI_NET_ADD: {
        float f = (float)(slot ? l->b : l->a);
        for (s = 0; s < n; s++)
            for (c = 0; c < o->c; c++)
                for (k = 0; k < area; k++)
                    gx[a->c == o->c && a->h * a->w == 1 ? s * o->c + c : s * area + k] += f * gy[(s * o->c
                        + c) * area + k];
        break;
    }
    case NRXI_NET_GAIN:
        for (s = 0; s < n * o->c; s++) for (k = 0; k < area; k++) gx[s * area + k] += w[l->first ? s % o->c
            : 0] * gy[s * area + k];
        break;
    case NRXI_NET_CONCAT: {
        size_t skip = slot ? p->map[l->in[0]].size : 0;
        for (s = 0; s < n; s++) for (k = 0; k < a->size; k++) gx[s * a->size + k] += gy[s * o->size + skip
            + k];
        break;
    }
    case NRXI_NET_SLICE:
        for (s = 0; s < n; s++) for (k = 0; k < o->size; k++) gx[s * a->size + l->first * area + k] += gy[s
            * o->size + k];
        break;
    case NRXI_NET_AVGPOOL: {
        float f = 1.0f / (float)(l->first * l->first);
        for (s = 0; s < n * o->c; s++)
            for (r = 0; r < o->h * l->first; r++)
                for (k = 0; k < o->w * l->first; k++) gx[(s * a->h + r) * a->w + k] += f * gy[s * area
                    + r / l->first * o->w + k / l->first];
        break;
    }
    case NRXI_NET_SUM: case NRXI_NET_MEAN:
        for (c = 0; p->batch && c < a->c; c++)
            nrxi_net_blend(p->batch, l->kind == NRXI_NET_MEAN ? 1.0f / (float)a->c : 1.0f, gy, 1,
                gx + c * p->batch, gx + c * p->batch);
        for (s = 0; !p->batch && s < n; s++) {
            float f = l->kind == NRXI_NET_MEAN ? gy[s] / (float)a->size : gy[s];
            for (k = 0; k < a->size; k++) gx[s * a->size + k] += f;
        }
        break;
    case NRXI_NET_SPATIAL_MEAN:
        for (s = 0; s < n * o->c; s++) {
            float f = gy[s] / (float)(a->h * a->w);
            for (k = 0; k < a->h * a->w; k++) gx[s * a->h * a->w + k] += f;
        }
        break;
    case NRXI_NET_RESIZE:
        for (s = 0; s < n * o->c; s++)
            for (r = 0; r < o->h; r++)
                for (k = 0; k < o->w; k++) {
                    float *img = gx + s * a->h * a->w, v = gy[s * area + r * o->w + k], fr, fk;
                    size_t r0, r1, k0, k1;
                    if (!l->adjoint) { img[r / l->first * a->w + k / l->first] += v; continue; }
                    nrxi_net_bilinear(r, l->first, a->h, &r0, &r1, &fr);
                    nrxi_net_bilinear(k, l->first, a->w, &k0, &k1, &fk);
                    img[r0 * a->w + k0] += (1 - fr) * (1 - fk) * v; img[r0 * a->w + k1] += (1 - fr) * fk * v;
                    img[r1 * a->w + k0] += fr * (1 - fk) * v;       img[r1 * a->w + k1] += fr * fk * v;
                }
        break;
    case NRXI_NET_BATCHNORM:
        for (s = 0; s < n * o->c; s++) {
            float f = nrxi_net_batchnorm_gain(p, l, s % o->c);
            for (k = 0; k < area; k++) gx[s * area + k] += f * gy[s * area + k];
        }
        break;
    default: break;
    }
    return NRX_OK;
}

/* Adds g (in p->gw, or given) to the gradient of parameter k of layer l. */
NRXI_FN void nrxi_net_give(nrx_net_plan *p, const nrxi_net_layer *l, int k, const float *g, float *grad)
{
    const nrxi_net_param *q = p->net->param + l->param[k];
    if (!q->frozen) nrxi_net_transform_grad(q, p->net->theta + q->offset, g, grad + q->offset);
}

/* grad += parameter gradient of <gy, L x>, with that of the constant part when `affine`. */
NRXI_FN void nrxi_net_linear_grad(nrx_net_plan *p, size_t i, const float *x, const float *gy, int affine,
    float *grad)
{
    const nrxi_net_layer *l = p->net->layer + i;
    const nrxi_net_map *a = p->map + l->in[0], *o = p->map + i;
    size_t n = p->n, s, k, c, area = o->h * o->w, len;
    nrxi_net_conv g;
    if (l->param[0] < 0) return;
    len = p->net->param[l->param[0]].rows * p->net->param[l->param[0]].cols;
    switch (l->kind) {
    case NRXI_NET_CONV: case NRXI_NET_CONVT:
        (void)nrxi_net_layer_conv(p, i, &g);
        memset(p->gw, 0, len * sizeof *p->gw);
        if (l->kind == NRXI_NET_CONV) nrxi_net_conv_weight_grad(&p->env, &g, x, gy, p->gw, p->scratch,
            p->off);
        else nrxi_net_conv_weight_grad(&p->env, &g, gy, x, p->gw, p->scratch, p->off);
        nrxi_net_give(p, l, 0, p->gw, grad);
        break;
    case NRXI_NET_DENSE:
        if (p->batch) {
            (void)nrxi_net_layer_conv(p, i, &g);
            memset(p->gw, 0, len * sizeof *p->gw);
            nrxi_net_conv_weight_grad(&p->env, &g, x, gy, p->gw, p->scratch, p->off);
        } else nrxi_net_rows_times(o->c, n, a->size, gy, 1, o->c, x, p->gw, 0, p->packed, p->off);
        nrxi_net_give(p, l, 0, p->gw, grad);
        break;
    case NRXI_NET_SPECTRAL:
        memset(p->gw, 0, len * sizeof *p->gw);
        nrxi_net_spectral(p, i, x, gy, NULL, 0, 0, p->gw);
        nrxi_net_give(p, l, 0, p->gw, grad);
        break;
    case NRXI_NET_GAIN: case NRXI_NET_BATCHNORM:
        memset(p->gw, 0, len * sizeof *p->gw);
        for (s = 0; s < n * o->c; s++) {
            double sum = 0, shift = 0;
            c = s % o->c;
            if (l->kind == NRXI_NET_BATCHNORM && affine) shift = (double)nrxi_net_weight(p, l, 2)[c];
            for (k = 0; k < area; k++) sum += (double)gy[s * area + k] * ((double)x[s * area + k] - shift);
            if (l->kind == NRXI_NET_BATCHNORM) sum /= sqrt((double)nrxi_net_weight(p, l, 3)[c] + l->a);
            p->gw[l->kind == NRXI_NET_GAIN && !l->first ? 0 : c] += (float)sum;
        }
        nrxi_net_give(p, l, 0, p->gw, grad);
        break;
    default: break;
    }
    if (!affine || (l->kind != NRXI_NET_BIAS && l->param[1] < 0)) return;
    memset(p->gw, 0, o->c * sizeof *p->gw);
    for (s = 0; s < n * o->c; s++) p->gw[s % o->c] += (float)nrxi_net_total(area, gy + s * area);
    nrxi_net_give(p, l, l->kind == NRXI_NET_BIAS ? 0 : 1, p->gw, grad);
}

/* z, d1, d2 of the pointwise layer at points k .. k+m-1 of one channel. */
NRXI_FN void nrxi_net_pointwise(const nrx_net_plan *p, const nrxi_net_layer *l, size_t c, size_t m,
    const float *t, const float *known, float *z, float *d1, float *d2)
{
    if (l->kind == NRXI_NET_RIDGE) {
        nrxi_net_ridge q;
        q.s = expf(nrxi_net_weight(p, l, 0)[c]);
        q.k = expf(nrxi_net_weight(p, l, 1)[c]);
        q.alpha = expf(nrxi_net_weight(p, l, 2)[0]);
        q.rho = (float)l->a;
        nrxi_net_ridge_eval(&q, m, t, z, d1, d2);
    } else if (l->kind == NRXI_NET_SPLINE) {
        nrxi_net_spline q;
        q.c = nrxi_net_weight(p, l, 0) + c * l->knots;
        q.knots = l->knots;
        q.range = (float)l->a;
        q.step = (float)(2 * l->a / (double)(l->knots - 1));
        q.integrated = l->adjoint;
        nrxi_net_spline_eval(&q, m, t, z, d1, d2);
    } else nrxi_net_act(l->act, l->a, l->b, m, t, known, z, d1, d2);
}

/* Parameter gradients of a learned profile: adj on the value, tadj on the tangent output (either may be
   NULL). */
NRXI_FN void nrxi_net_profile_grad(nrx_net_plan *p, size_t i, const float *adj, const float *tadj,
    float *grad)
{
    const nrxi_net_layer *l = p->net->layer + i;
    const nrxi_net_map *o = p->map + i, *a = p->map + l->in[0];
    const float *x = p->base + a->val, *v = tadj ? p->base + a->tan : NULL;
    size_t s, c, area = o->h * o->w;
    if (l->kind == NRXI_NET_SPLINE) {
        memset(p->gw, 0, o->c * l->knots * sizeof *p->gw);
        for (s = 0; s < p->n * o->c; s++) {
            nrxi_net_spline q;
            c = s % o->c;
            q.c = nrxi_net_weight(p, l, 0) + c * l->knots;
            q.knots = l->knots;
            q.range = (float)l->a;
            q.step = (float)(2 * l->a / (double)(l->knots - 1));
            q.integrated = l->adjoint;
            nrxi_net_spline_grad(&q, area, x + s * area, v ? v + s * area : NULL, adj ? adj + s * area
                : NULL, tadj ? tadj + s * area : NULL, p->gw + c * l->knots);
        }
        nrxi_net_give(p, l, 0, p->gw, grad);
        return;
    }
    for (c = 0; c < o->c; c++) {
        double g[3] = {0, 0, 0};
        const nrxi_net_param *q = p->net->param;
        nrxi_net_ridge r;
        r.s = expf(nrxi_net_weight(p, l, 0)[c]);
        r.k = expf(nrxi_net_weight(p, l, 1)[c]);
        r.alpha = expf(nrxi_net_weight(p, l, 2)[0]);
        r.rho = (float)l->a;
        for (s = c; s < p->n * o->c; s += o->c)
            nrxi_net_ridge_grad(&r, area, x + s * area, v ? v + s * area : NULL, adj ? adj + s * area : NULL,
                tadj ? tadj + s * area : NULL, g);
        grad[q[l->param[0]].offset + c] += (float)g[0];
        grad[q[l->param[1]].offset + c] += (float)g[1];
        grad[q[l->param[2]].offset] += (float)g[2];
    }
}

/* One group of a group norm: mean and 1/std. */
NRXI_FN void nrxi_net_group_stats(const float *x, size_t m, double eps, double *mean, double *rstd)
{
    double s = 0, q = 0;
    size_t k;
    for (k = 0; k < m; k++) s += (double)x[k];
    s /= (double)m;
    for (k = 0; k < m; k++) q += ((double)x[k] - s) * ((double)x[k] - s);
    *mean = s;
    *rstd = 1.0 / sqrt(q / (double)m + eps);
}

/* Group norm on one group of m = channels*area numbers. With xh = (x-mean)*rstd and J = d xh/dx (symmetric):
   J u = rstd (u - mean(u) - xh mean(xh u)). */
NRXI_FN void nrxi_net_groupnorm_forward(nrx_net_plan *p, size_t i, const float *x, const float *v, float *y,
    float *dy)
{
    const nrxi_net_layer *l = p->net->layer + i;
    const nrxi_net_map *o = p->map + i;
    const float *gain = nrxi_net_weight(p, l, 0), *bias = nrxi_net_weight(p, l, 1);
    size_t cg = o->c / l->groups, area = o->h * o->w, m = cg * area, s, k;
    for (s = 0; s < p->n * l->groups; s++) {
        const float *xs = x + s * m, *vs = v ? v + s * m : NULL;
        double mean, r, mv = 0, mxv = 0;
        nrxi_net_group_stats(xs, m, l->b, &mean, &r);
        if (vs) for (k = 0; k < m; k++) { mv += (double)vs[k];
            mxv += ((double)xs[k] - mean) * r * (double)vs[k]; }
        for (k = 0; k < m; k++) {
            size_t c = s % l->groups * cg + k / area;
            double xh = ((double)xs[k] - mean) * r;
            if (y) y[s * m + k] = (float)(xh * (double)gain[c] + (double)bias[c]);
            if (dy) dy[s * m + k] = (float)(r * ((double)vs[k] - mv / (double)m - xh * mxv / (double)m)
                * (double)gain[c]);
        }
    }
}

/* Adjoints on the value (adj) and on the tangent (tadj), either NULL, to those of x (gx, +=) and v (gv, +=)
   and parameters. */
NRXI_FN void nrxi_net_groupnorm_reverse(nrx_net_plan *p, size_t i, const float *adj, const float *tadj,
    float *gx, float *gv, float *grad)
{
    const nrxi_net_layer *l = p->net->layer + i;
    const nrxi_net_map *o = p->map + i, *in = p->map + l->in[0];
    const float *gain = nrxi_net_weight(p, l, 0), *x = p->base + in->val,
        *v = tadj ? p->base + in->tan : NULL;
    size_t cg = o->c / l->groups, area = o->h * o->w, m = cg * area, s, k;
    double inv = 1.0 / (double)m;
    for (s = 0; s < p->n * l->groups; s++) {
        double mean, r, g1 = 0, g2 = 0, h1 = 0, h2 = 0, v1 = 0, v2 = 0, hv = 0, q;
        nrxi_net_group_stats(x + s * m, m, l->b, &mean, &r);
        for (k = 0; k < m; k++) {
            size_t c = s % l->groups * cg + k / area, at = s * m + k;
            double xh = ((double)x[at] - mean) * r, g = adj ? (double)adj[at] * (double)gain[c] : 0, h = tadj
                ? (double)tadj[at] * (double)gain[c] : 0;
            g1 += g; g2 += xh * g; h1 += h; h2 += xh * h;
            if (v) { v1 += (double)v[at]; v2 += xh * (double)v[at]; hv += h * (double)v[at]; }
        }
        q = hv - h1 * v1 * inv - h2 * v2 * inv;
        for (k = 0; k < m; k++) {
            size_t c = s % l->groups * cg + k / area, at = s * m + k;
            double xh = ((double)x[at] - mean) * r, g = adj ? (double)adj[at] * (double)gain[c] : 0, h = tadj
                ? (double)tadj[at] * (double)gain[c] : 0;
            double jg = r * (g - g1 * inv - xh * g2 * inv), jh = r * (h - h1 * inv - xh * h2 * inv), jv = v
                ? r * ((double)v[at] - v1 * inv - xh * v2 * inv) : 0;
            if (gx) gx[at] += (float)(jg - r * r * q * inv * xh - r * inv * (v2 * jh + h2 * jv));
            if (gv) gv[at] += (float)jh;
            if (grad) {
                grad[p->net->param[l->param[0]].offset + c] += (float)((adj ? (double)adj[at] * xh : 0)
                    + (tadj ? (double)tadj[at] * jv : 0));
                if (adj) grad[p->net->param[l->param[1]].offset + c] += adj[at];
            }
        }
    }
}

/* Position of the maximum in the block of output (r, k): the first one. */
NRXI_FN size_t nrxi_net_max_at(const float *img, size_t w, size_t size, size_t r, size_t k)
{
    size_t best = r * size * w + k * size, y, x;
    for (y = 0; y < size; y++)
        for (x = 0; x < size; x++) {
            size_t at = (r * size + y) * w + k * size + x;
            if (img[at] > img[best]) best = at;
        }
    return best;
}

/* ---- the four passes ---- */

NRXI_FN float *nrxi_net_val(const nrx_net_plan *p, int node) { return node < 0 ? NULL : p->base
    + p->map[node].val; }
NRXI_FN float *nrxi_net_tan(const nrx_net_plan *p, int node) { return node < 0
    || p->mode != NRX_NET_PAIR ? NULL
    : p->base + p->map[node].tan; }

/* Values (tangent 0) or tangents of node i, into `to` or the node's own place. */
NRXI_FN nrx_status nrxi_net_node_forward(nrx_net_plan *p, size_t i, int tangent, float *to)
{
    const nrxi_net_layer *l = p->net->layer + i;
    const nrxi_net_map *o = p->map + i, *a = p->map + l->in[0];
    const float *x = nrxi_net_val(p, l->in[0]), *v = tangent ? nrxi_net_tan(p, l->in[0]) : NULL;
    float *y = to ? to : tangent ? nrxi_net_tan(p, (int)i) : nrxi_net_val(p, (int)i), d[NRXI_NET_ACT_CHUNK];
    size_t area = o->h * o->w, s, k, m, planes = p->n * o->c;
    /* the same function everywhere: one long array */
    if (l->kind == NRXI_NET_ACT) { area *= planes; planes = 1; }
    if (nrxi_net_is_linear(l->kind))
        return tangent ? nrxi_net_linear_apply(p, i, v, nrxi_net_tan(p, l->in[1]), y, 0)
            : nrxi_net_linear_apply(p, i, x, nrxi_net_val(p, l->in[1]), y, 1);
    switch (l->kind) {
    case NRXI_NET_MUL: {
        const float *x1 = nrxi_net_val(p, l->in[1]), *v1 = nrxi_net_tan(p, l->in[1]);
        if (!tangent) for (k = 0; k < p->n * o->size; k++) y[k] = x[k] * x1[k];
        else for (k = 0; k < p->n * o->size; k++) y[k] = v[k] * x1[k] + x[k] * v1[k];
        break;
    }
    case NRXI_NET_GRID:
        nrxi_net_grid_forward(p, i, x, nrxi_net_val(p, l->in[1]), v, tangent ? nrxi_net_tan(p, l->in[1])
            : NULL, y);
        break;
    case NRXI_NET_MAXPOOL:
        for (s = 0; s < p->n * o->c; s++)
            for (k = 0; k < area; k++) {
                size_t at = s * a->h * a->w + nrxi_net_max_at(x + s * a->h * a->w, a->w, l->first, k / o->w,
                    k % o->w);
                y[s * area + k] = tangent ? v[at] : x[at];
            }
        break;
    case NRXI_NET_GROUPNORM: nrxi_net_groupnorm_forward(p, i, x, v, tangent ? NULL : y, tangent ? y : NULL);
        break;
    default:
        if (l->kind == NRXI_NET_ACT && (l->act == NRX_NET_RELU || l->act == NRX_NET_LEAKY_RELU)) {
            nrxi_net_leaky(area, l->act == NRX_NET_RELU ? 0.0f : (float)l->a, x, tangent ? v : x, y, 0);
            break;
        }
        if (tangent && l->kind == NRXI_NET_ACT && l->act == NRX_NET_TANH) {
            nrxi_net_tanh_slope(area, nrxi_net_val(p, (int)i), v, NULL, y, 0);
            break;
        }
        for (s = 0; s < planes; s++)
            for (k = 0; k < area; k += m) {
                size_t at = s * area + k;
                m = area - k < NRXI_NET_ACT_CHUNK ? area - k : NRXI_NET_ACT_CHUNK;
                if (!tangent) { nrxi_net_pointwise(p, l, s % o->c, m, x + at, NULL, y + at, NULL, NULL);
                    continue; }
                nrxi_net_pointwise(p, l, s % o->c, m, x + at, nrxi_net_val(p, (int)i) + at, NULL, d, NULL);
                nrxi_net_product(m, d, v + at, NULL, y + at, 0);
            }
        break;
    }
    return NRX_OK;
}

/* Where adjoints live in one reverse pass: offsets of the value adjoint and of the tangent adjoint of each
   node. */
typedef struct nrxi_net_reverse {
    nrx_net_plan *p;
    unsigned char *has, *thas;
    int swap;    /* the adjoints of an earlier plain backward serve as tangent adjoints */
    int want_x, want_v; /* adjoints of the input, and of its tangent, are asked for */
    float *grad;
} nrxi_net_reverse;

NRXI_FN float *nrxi_net_adj(const nrxi_net_reverse *r, int node) { return r->p->base + (r->swap
    ? r->p->map[node].tadj : r->p->map[node].adj); }
NRXI_FN float *nrxi_net_tadj(const nrxi_net_reverse *r, int node)
{
    if (r->p->mode != NRX_NET_PAIR) return NULL;
    return r->p->base + (r->swap ? r->p->map[node].adj : r->p->map[node].tadj);
}

/* Adjoint buffer to add into: zeroed on first use. */
NRXI_FN float *nrxi_net_adj_open(const nrxi_net_reverse *r, int node)
{
    float *g = nrxi_net_adj(r, node);
    if (!r->has[node]) memset(g, 0, r->p->n * r->p->map[node].size * sizeof *g);
    r->has[node] = 1;
    return g;
}
NRXI_FN float *nrxi_net_tadj_open(const nrxi_net_reverse *r, int node)
{
    float *g = nrxi_net_tadj(r, node);
    if (!r->thas[node]) memset(g, 0, r->p->n * r->p->map[node].size * sizeof *g);
    r->thas[node] = 1;
    return g;
}

NRXI_FN nrx_status nrxi_net_node_reverse(const nrxi_net_reverse *r, size_t i)
{
    nrx_net_plan *p = r->p;
    const nrxi_net_layer *l = p->net->layer + i;
    const nrxi_net_map *o = p->map + i, *a = p->map + l->in[0];
    const float *x = nrxi_net_val(p, l->in[0]), *adj = r->has[i] ? nrxi_net_adj(r, (int)i) : NULL,
        *tadj = r->thas[i]
        ? nrxi_net_tadj(r, (int)i) : NULL;
    size_t area = o->h * o->w, s, k, m, planes = p->n * o->c;
    nrx_status st;
    int slot;
    if (l->kind == NRXI_NET_ACT) { area *= planes; planes = 1; }
    if (nrxi_net_is_linear(l->kind)) {
        if (r->grad) {
            if (adj) nrxi_net_linear_grad(p, i, x, adj, 1, r->grad);
            if (tadj) nrxi_net_linear_grad(p, i, nrxi_net_tan(p, l->in[0]), tadj, 0, r->grad);
        }
        for (slot = 0; slot < 2 && l->in[slot] >= 0; slot++) {
            int to = l->in[slot];
            if (adj && (to || r->want_x)) {
                st = nrxi_net_linear_adjoint(p, i, adj, slot, nrxi_net_adj(r, to), r->has[to]);
                if (st != NRX_OK) return st;
                r->has[to] = 1;
            }
            if (tadj && !r->swap && (to || r->want_v)) {
                st = nrxi_net_linear_adjoint(p, i, tadj, slot, nrxi_net_tadj(r, to), r->thas[to]);
                if (st != NRX_OK) return st;
                r->thas[to] = 1;
            }
        }
        return NRX_OK;
    }
    switch (l->kind) {
    case NRXI_NET_MUL: {
        const float *x1 = nrxi_net_val(p, l->in[1]);
        float *g0 = nrxi_net_adj_open(r, l->in[0]), *g1 = nrxi_net_adj_open(r, l->in[1]);
        if (adj) for (k = 0; k < p->n * o->size; k++) { g0[k] += adj[k] * x1[k]; g1[k] += adj[k] * x[k]; }
        if (tadj) {
            const float *v = nrxi_net_tan(p, l->in[0]), *v1 = nrxi_net_tan(p, l->in[1]);
            for (k = 0; k < p->n * o->size; k++) { g0[k] += tadj[k] * v1[k]; g1[k] += tadj[k] * v[k]; }
            if (!r->swap) {
                float *t0 = nrxi_net_tadj_open(r, l->in[0]), *t1 = nrxi_net_tadj_open(r, l->in[1]);
                for (k = 0; k < p->n * o->size; k++) { t0[k] += tadj[k] * x1[k]; t1[k] += tadj[k] * x[k]; }
            }
        }
        break;
    }
    case NRXI_NET_GRID: {
        float *g0 = nrxi_net_adj_open(r, l->in[0]), *g1 = nrxi_net_adj_open(r, l->in[1]);
        int both = tadj && !r->swap;
        nrxi_net_grid_reverse(p, i, adj, tadj, g0, g1, both ? nrxi_net_tadj_open(r, l->in[0]) : NULL, both
            ? nrxi_net_tadj_open(r, l->in[1]) : NULL);
        break;
    }
    case NRXI_NET_MAXPOOL: {
        float *g = adj ? nrxi_net_adj_open(r, l->in[0]) : NULL, *t = tadj
            && !r->swap ? nrxi_net_tadj_open(r, l->in[0])
            : NULL;
        for (s = 0; s < p->n * o->c; s++)
            for (k = 0; k < area; k++) {
                size_t at = s * a->h * a->w + nrxi_net_max_at(x + s * a->h * a->w, a->w, l->first, k / o->w,
                    k % o->w);
                if (g) g[at] += adj[s * area + k];
                if (t) t[at] += tadj[s * area + k];
            }
        break;
    }
    case NRXI_NET_GROUPNORM: {
        float *g = nrxi_net_adj_open(r, l->in[0]), *t = tadj
            && !r->swap ? nrxi_net_tadj_open(r, l->in[0]) : NULL;
        nrxi_net_groupnorm_reverse(p, i, adj, tadj, g, t, r->grad);
        break;
    }
    default: {
        int flat = l->kind == NRXI_NET_ACT && nrxi_net_act_is_flat(l->act), fresh = !r->has[l->in[0]],
            tfresh = !r->thas[l->in[0]];
        int curved = tadj && !flat;
        float *g = adj || curved ? nrxi_net_adj(r, l->in[0]) : NULL, *t = tadj
            && !r->swap ? nrxi_net_tadj(r, l->in[0])
            : NULL;
        const float *v = curved ? nrxi_net_tan(p, l->in[0]) : NULL;
        float d1[NRXI_NET_ACT_CHUNK], d2[NRXI_NET_ACT_CHUNK];
        if (!g && !t && l->kind == NRXI_NET_ACT) break;
        if (l->kind == NRXI_NET_ACT && (l->act == NRX_NET_RELU || l->act == NRX_NET_LEAKY_RELU)) {
            float slope = l->act == NRX_NET_RELU ? 0.0f : (float)l->a;
            if (g) nrxi_net_leaky(area, slope, x, adj, g, !fresh);
            if (t) nrxi_net_leaky(area, slope, x, tadj, t, !tfresh);
        } else if (l->kind == NRXI_NET_ACT && l->act == NRX_NET_TANH) {
            const float *z = nrxi_net_val(p, (int)i);
            if (g && adj) nrxi_net_tanh_slope(area, z, adj, NULL, g, !fresh);
            if (g && curved) nrxi_net_tanh_slope(area, z, v, tadj, g, !fresh || adj != NULL);
            if (t) nrxi_net_tanh_slope(area, z, tadj, NULL, t, !tfresh);
        } else for (s = 0; s < planes; s++)
            for (k = 0; k < area; k += m) {
                size_t at = s * area + k;
                m = area - k < NRXI_NET_ACT_CHUNK ? area - k : NRXI_NET_ACT_CHUNK;
                nrxi_net_pointwise(p, l, s % o->c, m, x + at, nrxi_net_val(p, (int)i) + at, NULL, d1, curved
                    ? d2 : NULL);
                if (g && adj) nrxi_net_product(m, d1, adj + at, NULL, g + at, !fresh);
                if (g && curved) nrxi_net_product(m, d2, v + at, tadj + at, g + at, !fresh || adj != NULL);
                if (g && !adj && !curved && fresh) memset(g + at, 0, m * sizeof *g);
                if (t) nrxi_net_product(m, d1, tadj + at, NULL, t + at, !tfresh);
            }
        if (g) r->has[l->in[0]] = 1;
        if (t) r->thas[l->in[0]] = 1;
        if (r->grad && l->kind != NRXI_NET_ACT) nrxi_net_profile_grad(p, i, adj, tadj, r->grad);
        break;
    }
    }
    return NRX_OK;
}

NRX_DEF nrx_status nrx_net_forward(nrx_net_plan *plan, const float *x, float *y)
{
    size_t i, last;
    int direct;
    nrx_status s = NRX_OK;
    if (!plan || !x) return nrxi_fail(plan ? &plan->env : NULL, NRX_E_ARG, "nrx_net_forward: %s is NULL",
        plan ? "x" : "plan");
    plan->ran = plan->tangent_ran = plan->ones = 0;
    last = (size_t)plan->output;
    /* no pass reads it */
    direct = y && last > 0 && !plan->batch && nrxi_net_is_linear(plan->net->layer[last].kind);
    nrxi_net_refresh(plan);
    nrxi_net_take(plan, 0, x, plan->base + plan->map[0].val);
    for (i = 1; i <= last; i++) {
        s = nrxi_net_node_forward(plan, i, 0, direct && i == last ? y : NULL);
        if (s != NRX_OK) return nrxi_fail(&plan->env, s, "nrx_net_forward: layer %s: %s",
            plan->net->layer[i].name, nrx_status_string(s));
    }
    plan->ran = 1;
    if (y && !direct) nrxi_net_hand(plan, plan->output, plan->base + plan->map[plan->output].val, y);
    return NRX_OK;
}

NRX_DEF nrx_status nrx_net_tangent(nrx_net_plan *plan, const float *v, float *dy)
{
    size_t i;
    if (!plan || !v) return nrxi_fail(plan ? &plan->env : NULL, NRX_E_ARG, "nrx_net_tangent: %s is NULL",
        plan ? "v" : "plan");
    if (plan->mode != NRX_NET_PAIR || !plan->ran)
        return nrxi_fail(&plan->env, NRX_E_STATE,
            "nrx_net_tangent: needs a plan of mode NRX_NET_PAIR after nrx_net_forward");
    nrxi_net_take(plan, 0, v, plan->base + plan->map[0].tan);
    for (i = 1; i <= (size_t)plan->output; i++) {
        nrx_status s = nrxi_net_node_forward(plan, i, 1, NULL);
        if (s != NRX_OK) return nrxi_fail(&plan->env, s, "nrx_net_tangent: layer %s: %s",
            plan->net->layer[i].name, nrx_status_string(s));
    }
    plan->tangent_ran = 1;
    if (dy) nrxi_net_hand(plan, plan->output, plan->base + plan->map[plan->output].tan, dy);
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_net_reverse_run(const nrxi_net_reverse *r, const char *who)
{
    size_t i;
    for (i = (size_t)r->p->output; i >= 1; i--) {
        nrx_status s;
        if (!r->has[i] && !r->thas[i]) continue;
        s = nrxi_net_node_reverse(r, i);
        if (s != NRX_OK) return nrxi_fail(&r->p->env, s, "%s: layer %s: %s", who, r->p->net->layer[i].name,
            nrx_status_string(s));
    }
    return NRX_OK;
}

/* Writes the seed of the output: g, or ones. */
NRXI_FN void nrxi_net_seed(const nrx_net_plan *p, float *to, const float *g)
{
    size_t k, n = p->n * p->map[p->output].size;
    if (g) nrxi_net_take(p, p->output, g, to);
    else for (k = 0; k < n; k++) to[k] = 1.0f;
}

/* The adjoint of the input, zero when nothing reached it. */
NRXI_FN void nrxi_net_collect(const nrx_net_plan *p, float *to, const float *from, int has)
{
    if (!to) return;
    if (has) nrxi_net_hand(p, 0, from, to);
    else memset(to, 0, p->n * p->map[0].size * sizeof *to);
}

NRX_DEF nrx_status nrx_net_backward(nrx_net_plan *plan, const float *gy, float *gx, float *grad)
{
    nrxi_net_reverse r;
    nrx_status s;
    if (!plan) return nrxi_fail(NULL, NRX_E_ARG, "nrx_net_backward: plan is NULL");
    if (plan->mode == NRX_NET_INFER || !plan->ran)
        return nrxi_fail(&plan->env, NRX_E_STATE,
            "nrx_net_backward: needs a plan of mode NRX_NET_GRADIENT or _PAIR after nrx_net_forward");
    r.p = plan; r.has = plan->has; r.thas = plan->thas; r.swap = 0; r.grad = grad;
    /* the tangent's backward may use it again */
    r.want_x = gx != NULL || (plan->mode == NRX_NET_PAIR && !gy);
    r.want_v = 0;
    memset(plan->has, 0, plan->net->layers);
    memset(plan->thas, 0, plan->net->layers);
    plan->ones = 0;
    nrxi_net_seed(plan, nrxi_net_adj(&r, plan->output), gy);
    plan->has[plan->output] = 1;
    s = nrxi_net_reverse_run(&r, "nrx_net_backward");
    if (s != NRX_OK) return s;
    nrxi_net_collect(plan, gx, nrxi_net_adj(&r, 0), plan->has[0]);
    plan->ones = gy == NULL && plan->mode == NRX_NET_PAIR;
    return NRX_OK;
}

NRX_DEF nrx_status nrx_net_backward_tangent(nrx_net_plan *plan, const float *gy, const float *gdy, float *gx,
    float *gv, float *grad)
{
    nrxi_net_reverse r;
    nrx_status s;
    size_t n;
    if (!plan) return nrxi_fail(NULL, NRX_E_ARG, "nrx_net_backward_tangent: plan is NULL");
    if (plan->mode != NRX_NET_PAIR || !plan->tangent_ran)
        return nrxi_fail(&plan->env, NRX_E_STATE,
            "nrx_net_backward_tangent: needs nrx_net_forward and nrx_net_tangent on a plan of mode NRX_NET_PAIR");
    n = plan->net->layers;
    r.p = plan; r.has = plan->has; r.thas = plan->thas; r.grad = grad;
    r.want_x = gx != NULL;
    r.want_v = gv != NULL;
    r.swap = plan->ones && gdy == NULL;
    if (r.swap) { /* has[] of the plain backward tells which tangent adjoints are there */
        memcpy(plan->thas, plan->has, n);
        memset(plan->has, 0, n);
    } else {
        memset(plan->has, 0, n);
        memset(plan->thas, 0, n);
        nrxi_net_seed(plan, nrxi_net_tadj(&r, plan->output), gdy);
        plan->thas[plan->output] = 1;
        plan->ones = 0;
    }
    if (gy) {
        nrxi_net_seed(plan, nrxi_net_adj(&r, plan->output), gy);
        plan->has[plan->output] = 1;
    }
    s = nrxi_net_reverse_run(&r, "nrx_net_backward_tangent");
    if (s == NRX_OK) {
        nrxi_net_collect(plan, gx, nrxi_net_adj(&r, 0), plan->has[0]);
        nrxi_net_collect(plan, gv, nrxi_net_tadj(&r, 0), plan->thas[0]);
    }
    if (r.swap) memcpy(plan->has, plan->thas, n); /* the adjoints with seed one are still there */
    return s;
}

/* ---- graphs ---- */

/* The first error of the builders is kept; they return -1. */
#define NRXI_NET_BUILD_FAIL(net, ...) ((net)->status = nrxi_fail(&(net)->env, __VA_ARGS__), -1)

NRX_DEF nrx_status nrx_net_create(const nrx_net_desc *desc, nrx_net **net)
{
    nrx_net *n;
    const nrx_env *env = desc ? &desc->env : NULL;
    if (!net) return nrxi_fail(env, NRX_E_ARG, "nrx_net_create: net is NULL");
    *net = NULL;
    n = (nrx_net *)nrxi_calloc(env, 1, sizeof *n);
    if (!n) return nrxi_fail(env, NRX_E_NOMEM, "nrx_net_create: no memory");
    if (env) n->env = *env;
    n->layer_room = 16;
    n->layer = (nrxi_net_layer *)nrxi_calloc(env, n->layer_room, sizeof *n->layer);
    if (!n->layer) { nrxi_free(env, n); return nrxi_fail(env, NRX_E_NOMEM, "nrx_net_create: no memory"); }
    n->layers = 1;
    n->output = -1;
    n->layer[0].kind = NRXI_NET_INPUT;
    n->layer[0].in[0] = n->layer[0].in[1] = -1;
    memset(n->layer[0].param, -1, sizeof n->layer[0].param);
    n->layer[0].channels = desc && desc->channels ? desc->channels : 1;
    strcpy(n->layer[0].name, "input");
    nrx_rng_seed(&n->rng, desc ? desc->seed : 0, 0x6e6574);
    *net = n;
    return NRX_OK;
}

NRX_DEF void nrx_net_free(nrx_net *net)
{
    nrx_env env;
    if (!net) return;
    env = net->env;
    nrxi_free(&env, net->layer);
    nrxi_free(&env, net->param);
    nrxi_free(&env, net->theta);
    nrxi_free(&env, net->grad);
    nrxi_free(&env, net);
}

NRX_DEF nrx_status nrx_net_status(const nrx_net *net) { return net ? net->status : NRX_E_ARG; }
NRX_DEF void nrx_net_output(nrx_net *net, int node) { if (net && node >= 0
    && (size_t)node < net->layers) net->output = node; }

/* Appends "name" or "nameN" into a buffer of `size` characters. */
NRXI_FN void nrxi_net_name(char *to, size_t size, const char *name, const char *base, size_t number)
{
    nrxi_text t;
    t.at = to;
    t.end = to + size - 1;
    if (name) nrxi_put_string(&t, name);
    else { nrxi_put_string(&t, base); nrxi_put_unsigned(&t, number); }
    *t.at = 0;
}

/* prefix + base, + number when it is not 0. */
NRXI_FN void nrxi_net_join(char *to, size_t size, const char *prefix, const char *base, size_t number)
{
    nrxi_text t;
    t.at = to;
    t.end = to + size - 1;
    nrxi_put_string(&t, prefix);
    nrxi_put_string(&t, base);
    if (number) nrxi_put_unsigned(&t, number);
    *t.at = 0;
}

/* A new node, or NULL after an error. */
NRXI_FN nrxi_net_layer *nrxi_net_node(nrx_net *net, int kind, int a, int b, int inputs, const char *name,
    const char *base)
{
    nrxi_net_layer *l;
    size_t k;
    if (!net || net->status != NRX_OK) return NULL;
    if (a < 0 || (size_t)a >= net->layers || (inputs == 2 && (b < 0 || (size_t)b >= net->layers))) {
        net->status = nrxi_fail(&net->env, NRX_E_ARG,
            "nrx_net: layer %s is fed by node %d, but nodes are 0 to %zu", name ? name : base, a < 0 ? a : b,
                net->layers - 1);
        return NULL;
    }
    if (net->layers == net->layer_room) {
        l = (nrxi_net_layer *)nrxi_realloc(&net->env, net->layer, net->layer_room * 2, sizeof *l);
        if (!l) { net->status = nrxi_fail(&net->env, NRX_E_NOMEM, "nrx_net: no memory for another layer");
            return NULL; }
        net->layer = l;
        net->layer_room *= 2;
    }
    l = net->layer + net->layers;
    memset(l, 0, sizeof *l);
    l->kind = kind;
    l->in[0] = a;
    l->in[1] = inputs == 2 ? b : -1;
    memset(l->param, -1, sizeof l->param);
    l->channels = net->layer[a].channels;
    l->kh = l->kw = l->stride = l->dilation = l->groups = 1;
    nrxi_net_name(l->name, sizeof l->name, name, base, net->layers);
    for (k = 0; l->name[k]; k++) /* names go into files: no blanks, quotes, separators */
        if (l->name[k] <= ' '
            || l->name[k] == '"' || l->name[k] == '\\' || l->name[k] == ';' || l->name[k] == 127) l->name[k] = '_';
    net->layers++;
    return l;
}

/* A new parameter block of layer l, filled with `fill`; its index, or -1. */
NRXI_FN int nrxi_net_param_add(nrx_net *net, nrxi_net_layer *l, int slot, const char *suffix, size_t rows,
    size_t cols, int weights, double rate, float fill)
{
    nrxi_net_param *q;
    nrxi_text t;
    size_t n, total, i, room;
    if (net->status != NRX_OK) return -1;
    if (!nrxi_mul_ok(rows, cols, &n) || !nrxi_add_ok(net->count, n, &total) || total > (size_t)-1 / 64
        || n == 0)
        return NRXI_NET_BUILD_FAIL(net, NRX_E_RANGE, "nrx_net: layer %s: %zu x %zu weights", l->name, rows,
            cols);
    if (net->params == net->param_room) {
        room = net->param_room ? 2 * net->param_room : 16;
        q = (nrxi_net_param *)nrxi_realloc(&net->env, net->param, room, sizeof *q);
        if (!q) return NRXI_NET_BUILD_FAIL(net, NRX_E_NOMEM, "nrx_net: no memory for another parameter");
        net->param = q;
        net->param_room = room;
    }
    if (total > net->theta_room) {
        float *a, *b;
        room = total > 2 * net->theta_room ? total : 2 * net->theta_room;
        a = (float *)nrxi_realloc(&net->env, net->theta, room + NRXI_NET_SLACK, sizeof *a);
        /* vector loads may run past the end */
        if (a) { net->theta = a; memset(a + net->count, 0, (room + NRXI_NET_SLACK - net->count) * sizeof *a);
            }
        b = a ? (float *)nrxi_realloc(&net->env, net->grad, room, sizeof *b) : NULL;
        if (b) net->grad = b;
        if (!a || !b) return NRXI_NET_BUILD_FAIL(net, NRX_E_NOMEM, "nrx_net: no memory for %zu weights",
            room);
        net->theta_room = room;
    }
    q = net->param + net->params;
    memset(q, 0, sizeof *q);
    t.at = q->name;
    t.end = q->name + sizeof q->name - 1;
    nrxi_put_string(&t, l->name);
    if (*suffix) { nrxi_put(&t, '.'); nrxi_put_string(&t, suffix); }
    *t.at = 0;
    q->offset = net->count;
    q->rows = rows;
    q->cols = cols;
    q->shape[0] = rows;
    q->shape[1] = cols;
    q->ndim = cols == 1 ? 1 : 2;
    q->rate = rate > 0 ? rate : 1;
    if (weights >= NRX_NET_W_ZERO_MEAN) q->transform = weights;
    else q->constraint = weights;
    for (i = 0; i < n; i++) { net->theta[net->count + i] = fill; net->grad[net->count + i] = 0; }
    net->count = total;
    l->param[slot] = (int)net->params;
    return (int)net->params++;
}

/* init: 0 uniform +-1/sqrt(fan), > 0 uniform [0, init], < 0 normal with -init; positive parametrizations
   store its inverse. */
NRXI_FN void nrxi_net_param_init(nrx_net *net, int param, double init, size_t fan)
{
    nrxi_net_param *q;
    float *w;
    size_t i;
    double bound = 1.0 / sqrt((double)(fan ? fan : 1));
    if (param < 0) return;
    q = net->param + param;
    w = net->theta + q->offset;
    for (i = 0; i < q->rows * q->cols; i++) {
        double v = init < 0 ? -init * nrx_rng_normal(&net->rng) : init > 0 ? init * nrx_rng_uniform(&net->rng)
            : bound * (2 * nrx_rng_uniform(&net->rng) - 1);
        if (q->transform == NRX_NET_W_EXP) v = log(fabs(v) + 1e-12);
        else if (q->transform == NRX_NET_W_SOFTPLUS) v = log(expm1(fabs(v) + 1e-12));
        else if (q->constraint == NRX_NONNEGATIVE && init == 0) v = fabs(v) / (double)(fan ? fan : 1) * 2;
        w[i] = (float)v;
    }
}

NRXI_FN int nrxi_net_weights_known(int w)
{
    return w == NRX_NET_W_FREE || w == NRX_NET_W_NONNEGATIVE || w == NRX_NET_W_UNIT_NORM
        || w == NRX_NET_W_UNIT_SPECTRAL
        || w == NRX_NET_W_ZERO_MEAN || w == NRX_NET_W_EXP || w == NRX_NET_W_SOFTPLUS;
}

NRXI_FN int nrxi_net_conv_node(nrx_net *net, int input, const nrx_net_conv_desc *desc, int transpose)
{
    nrx_net_conv_desc d = NRX_ZERO;
    nrxi_net_layer *l;
    size_t ci, area, rows, cols;
    int w, odd;
    if (desc) d = *desc;
    l = nrxi_net_node(net, transpose ? NRXI_NET_CONVT : NRXI_NET_CONV, input, -1, 1, d.name, transpose
        ? "convt" : "conv");
    if (!l) return -1;
    ci = net->layer[input].channels;
    l->channels = d.channels ? d.channels : 1;
    l->kw = d.kernel ? d.kernel : 3;
    l->kh = d.kernel_height ? d.kernel_height : l->kw;
    l->stride = d.stride ? d.stride : 1;
    l->dilation = d.dilation ? d.dilation : 1;
    l->groups = d.groups ? d.groups : 1;
    l->padding = d.padding;
    l->out_pad = transpose ? d.output_padding : 0;
    if (d.padding < 0 || d.padding > NRX_NET_PAD_VALID || !nrxi_net_weights_known(d.weights))
        return NRXI_NET_BUILD_FAIL(net, NRX_E_ARG,
            "nrx_net: layer %s: padding %d or weights %d is not one of the names", l->name, d.padding,
                d.weights);
    if (l->kh > 4096 || l->kw > 4096 || l->dilation > 4096 || l->stride > 4096 || d.pad > 65536
        || l->channels > ((size_t)1 << 24))
        return NRXI_NET_BUILD_FAIL(net, NRX_E_RANGE,
            "nrx_net: layer %s: kernel %zux%zu, dilation %zu, stride %zu", l->name, l->kh, l->kw,
                l->dilation, l->stride);
    if (ci % l->groups || l->channels % l->groups)
        return NRXI_NET_BUILD_FAIL(net, NRX_E_SHAPE,
            "nrx_net: layer %s: %zu groups do not divide %zu input and %zu output channels", l->name,
                l->groups, ci, l->channels);
    if (transpose && d.padding != NRX_NET_PAD_ZERO && d.padding != NRX_NET_PAD_VALID)
        return NRXI_NET_BUILD_FAIL(net, NRX_E_UNSUPPORTED,
            "nrx_net: layer %s: transposed convolutions pad with zeros", l->name);
    odd = d.pad == 0 && d.padding != NRX_NET_PAD_VALID;
    l->pad_y = odd ? (l->kh - 1) * l->dilation / 2 : l->kh > 1 || l->kw == 1 ? d.pad : 0;
    l->pad_x = odd ? (l->kw - 1) * l->dilation / 2 : d.pad;
    if (d.padding == NRX_NET_PAD_VALID) { l->padding = NRX_NET_PAD_ZERO; l->pad_y = l->pad_x = d.pad; }
    area = l->kh * l->kw;
    rows = transpose ? ci : l->channels;
    cols = (transpose ? l->channels : ci) / l->groups * area;
    w = nrxi_net_param_add(net, l, 0, "weight", rows, cols, d.weights, d.learning_rate, 0.0f);
    if (w < 0) return -1;
    net->param[w].ndim = 4;
    net->param[w].shape[0] = rows;
    net->param[w].shape[1] = cols / area;
    net->param[w].shape[2] = l->kh;
    net->param[w].shape[3] = l->kw;
    nrxi_net_param_init(net, w, d.init, cols);
    if (!d.no_bias) {
        int b = nrxi_net_param_add(net, l, 1, "bias", l->channels, 1, NRX_NET_W_FREE, d.learning_rate, 0.0f);
        if (b < 0) return -1;
        if (d.init == 0) nrxi_net_param_init(net, b, 0, cols);
    }
    return (int)net->layers - 1;
}

NRX_DEF int nrx_net_conv2d(nrx_net *net, int input, const nrx_net_conv_desc *desc) {
    return nrxi_net_conv_node(net, input, desc, 0); }
NRX_DEF int nrx_net_conv_transpose2d(nrx_net *net, int input, const nrx_net_conv_desc *desc) {
    return nrxi_net_conv_node(net, input, desc, 1); }

NRX_DEF int nrx_net_dense(nrx_net *net, int input, const nrx_net_dense_desc *desc)
{
    nrx_net_dense_desc d = NRX_ZERO;
    nrxi_net_layer *l;
    int w;
    if (desc) d = *desc;
    l = nrxi_net_node(net, NRXI_NET_DENSE, input, -1, 1, d.name, "dense");
    if (!l) return -1;
    if (!nrxi_net_weights_known(d.weights)) return NRXI_NET_BUILD_FAIL(net, NRX_E_ARG,
        "nrx_net: layer %s: weights %d is not one of the names", l->name, d.weights);
    l->first = d.inputs ? d.inputs : net->layer[input].channels;
    l->channels = d.features ? d.features : 1;
    w = nrxi_net_param_add(net, l, 0, "weight", l->channels, l->first, d.weights, d.learning_rate, 0.0f);
    if (w < 0) return -1;
    net->param[w].ndim = 2;
    nrxi_net_param_init(net, w, d.init, l->first);
    if (!d.no_bias) {
        int b = nrxi_net_param_add(net, l, 1, "bias", l->channels, 1, NRX_NET_W_FREE, d.learning_rate, 0.0f);
        if (b < 0) return -1;
        if (d.init == 0) nrxi_net_param_init(net, b, 0, l->first);
    }
    return (int)net->layers - 1;
}

NRX_DEF int nrx_net_activation(nrx_net *net, int input, int kind, double a, double b)
{
    nrxi_net_layer *l = nrxi_net_node(net, NRXI_NET_ACT, input, -1, 1, NULL, "activation");
    if (!l) return -1;
    if (kind < 0 || kind > NRX_NET_CLIP || !(a >= 0 || kind == NRX_NET_CLIP))
        return NRXI_NET_BUILD_FAIL(net, NRX_E_ARG, "nrx_net_activation: kind %d with a = %g", kind, a);
    l->act = kind;
    if (a == 0 && kind != NRX_NET_CLIP) a = kind == NRX_NET_LEAKY_RELU ? 0.2 : kind == NRX_NET_SMOOTH_RELU
        ? 0.01
        : 1.0;
    if (kind == NRX_NET_CLIP && a == 0 && b == 0) b = 1;
    l->a = a;
    l->b = b;
    return (int)net->layers - 1;
}

NRX_DEF int nrx_net_ridge(nrx_net *net, int input, double rho, double log_s, double log_kappa,
    double log_alpha, double learning_rate, const char *name)
{
    nrxi_net_layer *l = nrxi_net_node(net, NRXI_NET_RIDGE, input, -1, 1, name, "ridge");
    if (!l) return -1;
    if (!(rho >= 0)) return NRXI_NET_BUILD_FAIL(net, NRX_E_ARG, "nrx_net_ridge: rho %g is negative", rho);
    l->a = rho;
    if (nrxi_net_param_add(net, l, 0, "log_s", l->channels, 1, 0, learning_rate, (float)log_s) < 0
        || nrxi_net_param_add(net, l, 1, "log_kappa", l->channels, 1, 0, learning_rate, (float)log_kappa) < 0
            || nrxi_net_param_add(net, l, 2, "log_alpha", 1, 1, 0, learning_rate,
                (float)log_alpha) < 0) return -1;
    return (int)net->layers - 1;
}

NRX_DEF int nrx_net_spline(nrx_net *net, int input, size_t knots, double range, int integrated, int kind,
    double a, const char *name)
{
    nrxi_net_layer *l = nrxi_net_node(net, NRXI_NET_SPLINE, input, -1, 1, name, "spline");
    size_t c, k;
    int w;
    if (!l) return -1;
    if (knots < 2 || knots > 100000 || !(range > 0) || kind < 0
        || kind > NRX_NET_CLIP) return NRXI_NET_BUILD_FAIL(net, NRX_E_ARG,
            "nrx_net_spline: %zu knots on +-%g", knots, range);
    l->knots = knots;
    l->a = range;
    l->adjoint = integrated != 0;
    w = nrxi_net_param_add(net, l, 0, "knots", l->channels, knots, 0, 1, 0.0f);
    if (w < 0) return -1;
    for (c = 0; c < l->channels; c++)
        for (k = 0; k < knots; k++) {
            float t = (float)(range * (2.0 * (double)k / (double)(knots - 1) - 1.0));
            nrxi_net_act(kind, a != 0 ? a : kind == NRX_NET_LEAKY_RELU ? 0.2 : 1.0, 1, 1, &t, NULL,
                net->theta + net->param[w].offset + c * knots + k, NULL, NULL);
        }
    return (int)net->layers - 1;
}

NRX_DEF int nrx_net_bias(nrx_net *net, int input, const char *name)
{
    nrxi_net_layer *l = nrxi_net_node(net, NRXI_NET_BIAS, input, -1, 1, name, "bias");
    return l && nrxi_net_param_add(net, l, 0, "bias", l->channels, 1, 0, 1, 0.0f) >= 0 ? (int)net->layers - 1
        : -1;
}

NRX_DEF int nrx_net_add(nrx_net *net, int first, int second, double a, double b)
{
    nrxi_net_layer *l = nrxi_net_node(net, NRXI_NET_ADD, first, second, second < 0 && b == 0 ? 1 : 2, NULL,
        "add");
    if (!l) return -1;
    l->a = a;
    l->b = b;
    return (int)net->layers - 1;
}

NRX_DEF int nrx_net_scale(nrx_net *net, int input, double factor) { return nrx_net_add(net, input, -1,
    factor, 0); }

NRX_DEF int nrx_net_scale_learned(nrx_net *net, int input, int per_channel, int weights, double init,
    double learning_rate, const char *name)
{
    nrxi_net_layer *l = nrxi_net_node(net, NRXI_NET_GAIN, input, -1, 1, name, "scale");
    double v = init;
    if (!l) return -1;
    l->first = per_channel ? 1 : 0;
    if (weights == NRX_NET_W_EXP) v = log(fabs(init) + 1e-30);
    else if (weights == NRX_NET_W_SOFTPLUS) v = log(expm1(fabs(init) + 1e-30));
    else if (weights != NRX_NET_W_FREE && weights != NRX_NET_W_NONNEGATIVE) return NRXI_NET_BUILD_FAIL(net,
        NRX_E_ARG, "nrx_net_scale_learned: weights %d", weights);
    if (nrxi_net_param_add(net, l, 0, "scale", per_channel ? l->channels : 1, 1, weights, learning_rate,
        (float)v) < 0) return -1;
    return (int)net->layers - 1;
}

NRX_DEF int nrx_net_multiply(nrx_net *net, int first, int second)
{
    nrxi_net_layer *l = nrxi_net_node(net, NRXI_NET_MUL, first, second, 2, NULL, "multiply");
    if (!l) return -1;
    return (int)net->layers - 1;
}

NRX_DEF int nrx_net_grid_sample(nrx_net *net, int input, int grid)
{
    nrxi_net_layer *l = nrxi_net_node(net, NRXI_NET_GRID, input, grid, 2, NULL, "grid_sample");
    return l ? (int)net->layers - 1 : -1;
}

NRX_DEF int nrx_net_spectral_conv2d(nrx_net *net, int input, size_t channels, size_t modes_y, size_t modes_x,
    const char *name)
{
    nrxi_net_layer *l = nrxi_net_node(net, NRXI_NET_SPECTRAL, input, -1, 1, name, "spectral");
    size_t ci, cols;
    int w;
    if (!l) return -1;
    ci = l->channels;
    l->channels = channels ? channels : ci;
    l->kh = modes_y;
    l->kw = modes_x;
    if (modes_x == 0 || modes_x > 4096 || modes_y > 4096 || l->channels > ((size_t)1 << 24)
        || !nrxi_mul_ok(ci, 2 * nrxi_net_modes(l), &cols))
        return NRXI_NET_BUILD_FAIL(net, NRX_E_RANGE, "nrx_net_spectral_conv2d: %zu x %zu modes", modes_y,
            modes_x);
    w = nrxi_net_param_add(net, l, 0, "weight", l->channels, cols, NRX_NET_W_FREE, 1, 0.0f);
    if (w < 0) return -1;
    net->param[w].ndim = 4;
    net->param[w].shape[1] = ci;
    net->param[w].shape[2] = modes_y ? 2 * modes_y : 1;
    net->param[w].shape[3] = 2 * modes_x;
    nrxi_net_param_init(net, w, -1.0 / sqrt((double)ci * (double)l->channels), ci);
    return (int)net->layers - 1;
}

NRX_DEF int nrx_net_concat(nrx_net *net, int first, int second)
{
    nrxi_net_layer *l = nrxi_net_node(net, NRXI_NET_CONCAT, first, second, 2, NULL, "concat");
    if (!l) return -1;
    l->channels += net->layer[second].channels;
    return (int)net->layers - 1;
}

NRX_DEF int nrx_net_slice(nrx_net *net, int input, size_t first_channel, size_t channels)
{
    nrxi_net_layer *l = nrxi_net_node(net, NRXI_NET_SLICE, input, -1, 1, NULL, "slice");
    if (!l) return -1;
    if (channels == 0 || first_channel >= l->channels || channels > l->channels - first_channel)
        return NRXI_NET_BUILD_FAIL(net, NRX_E_SHAPE, "nrx_net_slice: channels %zu to %zu of %zu",
            first_channel, first_channel + channels, l->channels);
    l->first = first_channel;
    l->channels = channels;
    return (int)net->layers - 1;
}

/* A node without parameters whose one number must be positive. */
NRXI_FN int nrxi_net_plain_node(nrx_net *net, int kind, int input, size_t number, const char *base)
{
    nrxi_net_layer *l = nrxi_net_node(net, kind, input, -1, 1, NULL, base);
    if (!l) return -1;
    if (number == 0 || number > 65536) return NRXI_NET_BUILD_FAIL(net, NRX_E_ARG,
        "nrx_net: layer %s: size %zu", base, number);
    l->first = number;
    return (int)net->layers - 1;
}

NRX_DEF int nrx_net_avg_pool(nrx_net *net, int input, size_t size) { return nrxi_net_plain_node(net,
    NRXI_NET_AVGPOOL, input, size, "avg_pool"); }
NRX_DEF int nrx_net_max_pool(nrx_net *net, int input, size_t size) { return nrxi_net_plain_node(net,
    NRXI_NET_MAXPOOL, input, size, "max_pool"); }
NRX_DEF int nrx_net_spatial_mean(nrx_net *net, int input) { return nrxi_net_plain_node(net,
    NRXI_NET_SPATIAL_MEAN, input, 1, "spatial_mean"); }

NRX_DEF int nrx_net_sum(nrx_net *net, int input)
{
    int node = nrxi_net_plain_node(net, NRXI_NET_SUM, input, 1, "sum");
    if (node >= 0) net->layer[node].channels = 1;
    return node;
}

NRX_DEF int nrx_net_mean(nrx_net *net, int input)
{
    int node = nrxi_net_plain_node(net, NRXI_NET_MEAN, input, 1, "mean");
    if (node >= 0) net->layer[node].channels = 1;
    return node;
}

NRX_DEF int nrx_net_sqnorm(nrx_net *net, int input) { return nrx_net_sum(net, nrx_net_activation(net, input,
    NRX_NET_SQUARE, 0, 0)); }
NRX_DEF int nrx_net_l1norm(nrx_net *net, int input) { return nrx_net_sum(net, nrx_net_activation(net, input,
    NRX_NET_ABS, 0, 0)); }
NRX_DEF int nrx_net_hubernorm(nrx_net *net, int input, double delta) { return nrx_net_sum(net,
    nrx_net_activation(net, input, NRX_NET_HUBER, delta, 0)); }

NRX_DEF int nrx_net_resize(nrx_net *net, int input, size_t factor, int bilinear)
{
    int node = nrxi_net_plain_node(net, NRXI_NET_RESIZE, input, factor, "resize");
    if (node >= 0) net->layer[node].adjoint = bilinear != 0;
    return node;
}

NRX_DEF int nrx_net_group_norm(nrx_net *net, int input, size_t groups, double eps, const char *name)
{
    nrxi_net_layer *l = nrxi_net_node(net, NRXI_NET_GROUPNORM, input, -1, 1, name, "group_norm");
    if (!l) return -1;
    l->groups = groups ? groups : l->channels;
    l->b = eps > 0 ? eps : 1e-5;
    if (l->channels % l->groups) return NRXI_NET_BUILD_FAIL(net, NRX_E_SHAPE,
        "nrx_net_group_norm: %zu groups do not divide %zu channels", l->groups, l->channels);
    if (nrxi_net_param_add(net, l, 0, "weight", l->channels, 1, 0, 1, 1.0f) < 0 || nrxi_net_param_add(net, l,
        1, "bias", l->channels, 1, 0, 1, 0.0f) < 0) return -1;
    return (int)net->layers - 1;
}

NRX_DEF int nrx_net_batch_norm(nrx_net *net, int input, double eps, const char *name)
{
    nrxi_net_layer *l = nrxi_net_node(net, NRXI_NET_BATCHNORM, input, -1, 1, name, "batch_norm");
    int m, v;
    if (!l) return -1;
    l->a = eps > 0 ? eps : 1e-5;
    if (nrxi_net_param_add(net, l, 0, "weight", l->channels, 1, 0, 1, 1.0f) < 0 || nrxi_net_param_add(net, l,
        1, "bias", l->channels, 1, 0, 1, 0.0f) < 0) return -1;
    m = nrxi_net_param_add(net, l, 2, "running_mean", l->channels, 1, 0, 1, 0.0f);
    v = nrxi_net_param_add(net, l, 3, "running_var", l->channels, 1, 0, 1, 1.0f);
    if (m < 0 || v < 0) return -1;
    net->param[m].frozen = net->param[v].frozen = 1;
    return (int)net->layers - 1;
}

NRX_DEF int nrx_net_operator(nrx_net *net, int input, const nrx_linop *op, int adjoint, size_t height,
    size_t width, double scale)
{
    nrxi_net_layer *l = nrxi_net_node(net, NRXI_NET_OPERATOR, input, -1, 1, NULL, "operator");
    size_t out;
    if (!l) return -1;
    if (!op || !op->apply || !op->adjoint || op->dtype != NRX_F32) return NRXI_NET_BUILD_FAIL(net, NRX_E_ARG,
        "nrx_net_operator: needs an f32 operator with apply and adjoint");
    if (!nrxi_mul_ok(height, width, &out) || out != (adjoint ? op->cols : op->rows))
        return NRXI_NET_BUILD_FAIL(net, NRX_E_SHAPE,
            "nrx_net_operator: output %zux%zu, the operator gives %zu numbers", height, width, adjoint
                ? op->cols : op->rows);
    if (scale == 0 && !(op->norm > 0)) return NRXI_NET_BUILD_FAIL(net, NRX_E_ARG,
        "nrx_net_operator: scale 0 asks for 1/norm, but the operator's norm is not known");
    l->op = *op;
    l->adjoint = adjoint != 0;
    l->op_h = height;
    l->op_w = width;
    l->a = scale != 0 ? scale : 1.0 / op->norm;
    return (int)net->layers - 1;
}

NRX_DEF size_t nrx_net_params(nrx_net *net, nrx_param *list, size_t max)
{
    size_t i, n = 0;
    if (!net) return 0;
    for (i = 0; i < net->params; i++) {
        const nrxi_net_param *q = net->param + i;
        if (q->frozen) continue;
        if (list && n < max) {
            list[n].name = q->name;
            list[n].value = net->theta + q->offset;
            list[n].grad = net->grad + q->offset;
            list[n].rows = q->rows;
            list[n].cols = q->cols;
            list[n].dtype = NRX_F32;
            list[n].constraint = q->constraint;
        }
        n++;
    }
    return n;
}

NRX_DEF size_t nrx_net_fold(nrx_net *net)
{
    size_t i, j, k, folded = 0;
    for (i = 1; net && i < net->layers; i++) {
        nrxi_net_layer *l = net->layer + i, *before = net->layer + l->in[0];
        size_t readers = net->output == l->in[0];
        if (l->kind != NRXI_NET_BATCHNORM || before->kind != NRXI_NET_CONV
            || net->param[before->param[0]].transform)
            continue;
        for (j = 1; j < net->layers; j++)
            readers += (size_t)(net->layer[j].in[0] == l->in[0]) + (size_t)(net->layer[j].in[1] == l->in[0]);
        if (readers != 1) continue;
        for (k = 0; k < l->channels; k++) {
            const nrxi_net_param *q = net->param, *w = q + before->param[0];
            float gain = net->theta[q[l->param[0]].offset + k]
                / sqrtf(net->theta[q[l->param[3]].offset + k] + (float)l->a);
            for (j = 0; j < w->cols; j++) net->theta[w->offset + k * w->cols + j] *= gain;
            if (before->param[1] >= 0) net->theta[q[before->param[1]].offset + k] *= gain;
            net->theta[q[l->param[1]].offset + k] -= gain * net->theta[q[l->param[2]].offset + k];
        }
        net->param[before->param[0]].constraint = NRX_FREE;
        l->kind = NRXI_NET_BIAS; /* its parameter is the old bias; the others stay, unused */
        for (k = 0; k < 4; k++) if (k != 1) net->param[l->param[k]].frozen = 1;
        l->param[0] = l->param[1];
        l->param[1] = l->param[2] = l->param[3] = -1;
        folded++;
    }
    return folded;
}

NRX_DEF void nrx_net_freeze(nrx_net *net, const char *prefix, int on)
{
    size_t i, k;
    for (i = 0; net && prefix && i < net->params; i++) {
        int statistics = 0;
        for (k = 0; k < net->layers; k++)
            if (net->layer[k].param[2] == (int)i || net->layer[k].param[3] == (int)i)
                statistics |= net->layer[k].kind == NRXI_NET_BATCHNORM;
        if (!statistics && strncmp(net->param[i].name, prefix, strlen(prefix)) == 0) net->param[i].frozen
            = on != 0;
    }
}

NRX_DEF size_t nrx_net_param_count(const nrx_net *net) { return net ? net->count : 0; }
NRX_DEF void nrx_net_zero_grad(nrx_net *net) { if (net && net->count) memset(net->grad, 0,
    net->count * sizeof *net->grad); }
NRX_DEF float *nrx_net_grad(nrx_net *net) { return net ? net->grad : NULL; }
NRX_DEF float *nrx_net_weights(nrx_net *net) { return net ? net->theta : NULL; }

/* Upper bound of the spectral norm of a rows x cols matrix from ||G^8||_F^(1/8), G the smaller Gram matrix
   scaled to trace 1; exact to the factor rank^(1/32). Falls back to the Frobenius norm without memory. */
NRXI_FN double nrxi_net_matrix_norm(const nrx_env *env, const float *a, size_t rows, size_t cols)
{
    size_t m = rows < cols ? rows : cols, i, j, k;
    double frob = 0, scale = 1, norm, *g, *h;
    for (i = 0; i < rows * cols; i++) frob += (double)a[i] * (double)a[i];
    if (frob == 0 || m == 1) return sqrt(frob);
    g = m > 4096 ? NULL : (double *)nrxi_alloc(env, 2 * m * m, sizeof *g);
    if (!g) return sqrt(frob);
    h = g + m * m;
    for (i = 0; i < m; i++)
        for (j = 0; j < m; j++) {
            double s = 0;
            if (rows <= cols) for (k = 0; k < cols; k++) s += (double)a[i * cols + k] * (double)a[j * cols
                + k];
            else for (k = 0; k < rows; k++) s += (double)a[k * cols + i] * (double)a[k * cols + j];
            g[i * m + j] = s / frob;
        }
    for (k = 0; k < 4; k++) { /* g = g*g, renormalised: norm(G) <= prod of factors */
        double f = 0;
        size_t l;
        for (i = 0; i < m; i++)
            for (j = 0; j < m; j++) {
                double s = 0;
                for (l = 0; l < m; l++) s += g[i * m + l] * g[l * m + j];
                h[i * m + j] = s;
                f += s * s;
            }
        f = sqrt(f);
        /* after k+1 squarings: lambda^(2^(k+1)) <= f * (what was divided out) */
        scale *= pow(f, 1.0 / (double)((size_t)2 << k));
        for (i = 0; i < m * m; i++) g[i] = h[i] / f;
    }
    nrxi_free(env, g);
    norm = sqrt(frob * scale);
    return norm * (1 + 1e-12);
}

NRX_DEF void nrx_net_project(nrx_net *net)
{
    size_t i, r, c;
    if (!net) return;
    for (i = 0; i < net->params; i++) {
        nrxi_net_param *q = net->param + i;
        float *w = net->theta + q->offset;
        if (q->constraint == NRX_NONNEGATIVE) {
            for (r = 0; r < q->rows * q->cols; r++) if (w[r] < 0) w[r] = 0.0f;
        } else if (q->constraint == NRX_UNIT_NORM) {
            for (r = 0; r < q->rows; r++) {
                double s = 0;
                for (c = 0; c < q->cols; c++) s += (double)w[r * q->cols + c] * (double)w[r * q->cols + c];
                if (s > 1) for (c = 0; c < q->cols; c++) w[r * q->cols + c] = (float)((double)w[r * q->cols
                    + c] / sqrt(s) * (1 - 1e-7));
            }
        } else if (q->constraint == NRX_UNIT_SPECTRAL) {
            /* of the matrix [rows][cols]; a kh x kw convolution has at most sqrt(kh*kw) times that norm */
            double s = nrxi_net_matrix_norm(&net->env, w, q->rows, q->cols);
            if (q->ndim == 4) s *= sqrt((double)(q->shape[2] * q->shape[3]));
            if (s > 1) for (r = 0; r < q->rows * q->cols; r++) w[r] = (float)((double)w[r] / s);
        }
    }
}

/* ---- certificates ----
   Each node z(x) carries constants that hold for every weight vector with entries in [-1,1] (S) or [0,1]
   (up, down):
     lip    ||z(x)-z(y)|| <= lip ||x-y||
     smooth ||D^2(w.z)|| <= smooth for |w_i| <= 1 (infinite where z has kinks)
     up     w.z + up/2 |x|^2 is convex for 0 <= w_i <= 1;  down: the same for -w.z
     strong w.z is strong*min(w)-strongly convex for w >= 0
   With a linear map A split into A+ and A-, up' = |A+|_1 up + |A-|_1 down, where |.|_1 is the largest column
   sum of
      absolute values
   (A^T w must stay within the box); a convex non-decreasing function of slope at most d multiplies up by d;
       a twice
   differentiable one gives smooth' = max|s'| smooth + max|s''| lip^2. */

typedef struct nrxi_net_proof { double lip, smooth, up, down, strong; } nrxi_net_proof;

NRXI_FN double nrxi_net_times(double a, double b) { return a == 0 || b == 0 ? 0 : a * b; } /* 0 * inf = 0 */
NRXI_FN double nrxi_net_max2(double a, double b) { return a > b ? a : b; }
NRXI_FN int nrxi_net_is_infinite(double x) { return !nrxi_finite_f64(&x); }

/* max over frequencies of the largest eigenvalue of sum_o d_o w_o(f)* w_o(f)^T (cin x cin), for a kh x kw
   kernel bank: the squared norm of the circular convolution followed by diag(sqrt(d)) on any larger grid.
   Evaluated on an m x m grid; the Ehlich-Zeller factor 1/cos(pi (k-1)/m) per direction covers what lies
   between. */
NRXI_FN nrx_status nrxi_net_kernel_norm2(const nrx_env *env, const float *w, const double *d, size_t co,
    size_t ci, size_t kh, size_t kw, double *norm2)
{
    size_t m = 16, k = kh > kw ? kh : kw, fy, fx, o, i, j, l, y, x, r;
    double best = 0, *h, *g, *t, *wave, edge;
    while (m < 8 * k && m < 128) m *= 2;
    while (m < 4 * k) m *= 2;
    h = (double *)nrxi_alloc(env, 2 * co * ci + 4 * ci * ci + 2 * m, sizeof *h);
    if (!h) return NRX_E_NOMEM;
    g = h + 2 * co * ci;
    t = g + 2 * ci * ci;
    wave = t + 2 * ci * ci;
    for (i = 0; i < m; i++) {
        wave[2 * i] = cos(2 * NRX_PI * (double)i / (double)m);
        wave[2 * i + 1] = sin(2 * NRX_PI * (double)i / (double)m);
    }
    for (fy = 0; fy <= m / 2; fy++)
        for (fx = 0; fx < m; fx++) {
            double top = 0;
            if ((fy == 0 || fy == m / 2) && fx > m / 2) continue; /* conjugate of one already seen */
            for (i = 0; i < co * ci; i++) {
                double re = 0, im = 0;
                for (y = 0; y < kh; y++)
                    for (x = 0; x < kw; x++) {
                        double v = (double)w[(i * kh + y) * kw + x];
                        const double *c = wave + 2 * ((fy * y + fx * x) % m);
                        re += v * c[0];
                        im += v * c[1];
                    }
                h[2 * i] = re;
                h[2 * i + 1] = im;
            }
            memset(g, 0, 2 * ci * ci * sizeof *g);
            for (o = 0; o < co; o++)
                for (i = 0; i < ci; i++)
                    for (j = 0; j < ci; j++) {
                        const double *a = h + 2 * (o * ci + i), *b = h + 2 * (o * ci + j);
                        g[2 * (i * ci + j)] += d[o] * (a[0] * b[0] + a[1] * b[1]);
                        g[2 * (i * ci + j) + 1] += d[o] * (a[0] * b[1] - a[1] * b[0]);
                    }
            for (i = 0; i < ci; i++) top += g[2 * (i * ci + i)]; /* trace >= largest eigenvalue */
            if (ci > 1 && top > best) { /* sharpen by squaring: lambda <= ||G^(2^r)||_F^(1/2^r) */
                double scale = top;
                for (i = 0; i < 2 * ci * ci; i++) g[i] /= top;
                for (r = 0; r < 4; r++) {
                    double f = 0;
                    for (i = 0; i < ci; i++)
                        for (j = 0; j < ci; j++) {
                            double re = 0, im = 0;
                            for (l = 0; l < ci; l++) {
                                const double *a = g + 2 * (i * ci + l), *b = g + 2 * (l * ci + j);
                                re += a[0] * b[0] - a[1] * b[1];
                                im += a[0] * b[1] + a[1] * b[0];
                            }
                            t[2 * (i * ci + j)] = re;
                            t[2 * (i * ci + j) + 1] = im;
                            f += re * re + im * im;
                        }
                    f = sqrt(f);
                    if (f == 0) { scale = 0; break; }
                    scale *= pow(f, 1.0 / (double)((size_t)2 << r));
                    for (i = 0; i < 2 * ci * ci; i++) g[i] = t[i] / f;
                    if (scale < best * 0.5) break;
                }
                top = scale;
            }
            if (top > best) best = top;
        }
    nrxi_free(env, h);
    edge = cos(NRX_PI * (double)(kh - 1) / (double)m) * cos(NRX_PI * (double)(kw - 1) / (double)m);
    *norm2 = best / edge * (1 + 1e-9);
    return NRX_OK;
}

/* How often padding may repeat one input cell, per direction. */
NRXI_FN double nrxi_net_pad_repeats(int mode, size_t pad)
{
    if (mode == NRX_NET_PAD_REPLICATE) return (double)pad + 1;
    if (mode == NRX_NET_PAD_REFLECT && pad) return 2;
    return 1;
}

/* ||diag(sqrt(d)) W||^2 for a convolution layer: the kernel's norm (largest group) times what padding can
   add. For stride 1 and small dense kernels with repeating padding the largest row sum of |W^T D W|, over all
   positions relative to the border, is tried too. */
NRXI_FN nrx_status nrxi_net_conv_norm2(const nrx_net_plan *p, const nrxi_net_layer *l, const float *w,
    size_t co, size_t ci, const double *d, double *norm2)
{
    size_t g, cig = ci / l->groups, cog = co / l->groups;
    double best = 0, v = 0;
    for (g = 0; g < l->groups; g++) {
        nrx_status s = nrxi_net_kernel_norm2(&p->env, w + g * cog * cig * l->kh * l->kw, d + g * cog, cog,
            cig, l->kh, l->kw, &v);
        if (s != NRX_OK) return s;
        if (v > best) best = v;
    }
    *norm2 = best * nrxi_net_pad_repeats(l->padding, l->pad_y) * nrxi_net_pad_repeats(l->padding, l->pad_x);
    if (ci == 1 && l->groups == 1 && l->stride == 1 && *norm2 > best && l->kh <= 9 && l->kw <= 9) {
        /* rows of |W^T D W| on a small image that shows every relation to the border */
        size_t ny = 4 * (l->kh - 1) * l->dilation + 1, nx = 4 * (l->kw - 1) * l->dilation + 1, i, k, o,
            area = ny * nx, scratch = 1, packed = 1, offs = 1;
        double rows = 0;
        nrxi_net_conv c;
        float *x, *u, *buf;
        size_t *off;
        if (area > 4096 || !nrxi_net_conv_setup(&c, l, 1, 1, co, ny, nx)) return NRX_OK;
        nrxi_net_conv_needs(&c, &scratch, &packed, &offs);
        x = (float *)nrxi_alloc(&p->env, area + co * c.oh * c.ow + scratch + packed + 4 * NRXI_NET_SLACK,
            sizeof *x);
        off = (size_t *)nrxi_alloc(&p->env, offs, sizeof *off);
        if (!x || !off) { nrxi_free(&p->env, x); nrxi_free(&p->env, off); return NRX_E_NOMEM; }
        u = x + area + NRXI_NET_SLACK;
        buf = u + co * c.oh * c.ow + NRXI_NET_SLACK;
        for (i = 0; i < area; i++) {
            double sum = 0;
            memset(x, 0, area * sizeof *x);
            x[i] = 1.0f;
            nrxi_net_conv_forward(&p->env, &c, w, NULL, x, u, buf, buf + scratch, off);
            for (o = 0; o < co; o++) for (k = 0; k < c.oh * c.ow; k++) u[o * c.oh * c.ow + k] *= (float)d[o];
            nrxi_net_conv_adjoint(&p->env, &c, w, u, x, 0, buf, buf + scratch, off);
            for (k = 0; k < area; k++) sum += fabs((double)x[k]);
            if (sum > rows) rows = sum;
        }
        nrxi_free(&p->env, x);
        nrxi_free(&p->env, off);
        if (rows * (1 + 1e-5) < *norm2) *norm2 = rows * (1 + 1e-5);
    }
    return NRX_OK;
}

/* Largest column sums of the positive and of the negative part of a linear layer's matrix, and its first
   negative entry. */
typedef struct nrxi_net_columns { double pos, neg; size_t negative; double value; } nrxi_net_columns;

NRXI_FN nrx_status nrxi_net_column_sums(const nrx_net_plan *p, const nrxi_net_layer *l, const float *w,
    const nrxi_net_param *q, size_t ci, nrxi_net_columns *c)
{
    size_t rows = q->rows, cols = q->cols, i, j, groups = l->kind == NRXI_NET_DENSE ? 1 : l->groups, per;
    double *sum, repeat = 1;
    int transpose = l->kind == NRXI_NET_CONVT;
    if (l->kind == NRXI_NET_CONV) repeat = nrxi_net_pad_repeats(l->padding,
        l->pad_y) * nrxi_net_pad_repeats(l->padding, l->pad_x);
    c->pos = c->neg = 0;
    c->negative = (size_t)-1;
    c->value = 0;
    /* a column belongs to one input channel (convolutions: all kernel cells that may hit it) or input number
       (dense) */
    sum = (double *)nrxi_calloc(&p->env, 2 * (l->kind == NRXI_NET_DENSE ? cols : ci), sizeof *sum);
    if (!sum) return NRX_E_NOMEM;
    per = l->kind == NRXI_NET_DENSE ? 1 : l->kh * l->kw;
    for (i = 0; i < rows; i++)
        for (j = 0; j < cols; j++) {
            double v = (double)w[i * cols + j];
            size_t column = l->kind == NRXI_NET_DENSE ? j : transpose ? i : i / (rows / groups)
                * (ci / groups) + j / per;
            sum[2 * column + (v < 0)] += fabs(v);
            if (v < 0 && c->negative == (size_t)-1) { c->negative = i * cols + j; c->value = v; }
        }
    for (i = 0; i < (l->kind == NRXI_NET_DENSE ? cols : ci); i++) {
        c->pos = nrxi_net_max2(c->pos, sum[2 * i]);
        c->neg = nrxi_net_max2(c->neg, sum[2 * i + 1]);
    }
    c->pos *= repeat;
    c->neg *= repeat;
    nrxi_free(&p->env, sum);
    return NRX_OK;
}

NRXI_FN void nrxi_net_blame(nrx_net_report *r, const nrxi_net_layer *l, size_t node, size_t index,
    double value)
{
    if (r->node >= 0) return;
    r->node = (int)node;
    r->index = index;
    r->value = value;
    nrxi_net_name(r->layer, sizeof r->layer, l->name, "", 0);
}

/* A pointwise function with derivative bounds b on inputs proven as z. */
NRXI_FN nrxi_net_proof nrxi_net_proof_pointwise(nrxi_net_proof z, nrxi_net_act_bounds b)
{
    nrxi_net_proof o;
    double slope = nrxi_net_max2(fabs(b.d1_min), fabs(b.d1_max)), curve = nrxi_net_max2(fabs(b.d2_min),
        fabs(b.d2_max)),
        l2 = nrxi_net_times(z.lip, z.lip);
    memset(&o, 0, sizeof o);
    o.lip = nrxi_net_times(slope, z.lip);
    o.smooth = nrxi_net_times(slope, z.smooth) + nrxi_net_times(curve, l2);
    /* D^2(w.s(z)) = sum w_i s'(z_i) D^2 z_i + w_i s''(z_i) grad z_i grad z_i^T */
    o.up = nrxi_net_times(nrxi_net_max2(b.d1_max, 0), z.up) + nrxi_net_times(nrxi_net_max2(-b.d1_min, 0),
        z.down)
        + nrxi_net_times(nrxi_net_max2(-b.d2_min, 0), l2);
    o.down = nrxi_net_times(nrxi_net_max2(b.d1_max, 0), z.down) + nrxi_net_times(nrxi_net_max2(-b.d1_min, 0),
        z.up)
        + nrxi_net_times(nrxi_net_max2(b.d2_max, 0), l2);
    if (nrxi_finite_f64(&o.smooth)) { if (o.up > o.smooth) o.up = o.smooth;
        if (o.down > o.smooth) o.down = o.smooth; }
    return o;
}

/* A map given by its norm and by its column sums, of one proven node. */
NRXI_FN nrxi_net_proof nrxi_net_proof_linear(nrxi_net_proof z, double norm, double pos, double neg)
{
    nrxi_net_proof o;
    memset(&o, 0, sizeof o);
    o.lip = nrxi_net_times(norm, z.lip);
    o.smooth = nrxi_net_times(pos + neg, z.smooth);
    o.up = nrxi_net_times(pos, z.up) + nrxi_net_times(neg, z.down);
    o.down = nrxi_net_times(pos, z.down) + nrxi_net_times(neg, z.up);
    return o;
}

/* ---- bounds over a box ----
   Over the box x = x0 + r xi, |xi_j| <= 1, each number z of each node carries
     z       in  c + sum_j G_j xi_j +- e   an affine form (zonotopes: Singh et al., NeurIPS 2018)
     dz/dx_j in  J_j +- K_j                all elements of the generalised gradient over the box
     z       in  m +- s                    an interval, met with the range of the form
   Linear layers act on c, m, G, J by their matrix and on e, s, K by its absolute values; a function becomes a
   line plus an error on z's interval. Everything is summed in f64. A computed sum of k products is off by at
   most g sum |w||v|, g = k u/(1 - k u), u = 2^-53 (Higham 2002, section 3.1): this is added to e, s and K as
   they are formed, which stands for directed rounding. libm is trusted to 64 ulp. */

/* A row of numbers: c, m, G[n], J[n] | e, s, K[n] | |c| + sum |G|. */
typedef struct nrxi_net_forms {
    const nrx_net_plan *p;
    size_t   n, width;              /* columns (the numbers of x; 0: intervals alone); doubles in a row */
    double **row;                   /* of each node, NULL when no longer needed */
    nrxi_net_act_bounds *local;     /* what each node's function does over the box */
    double  *peak;                  /* largest |z| of each node */
} nrxi_net_forms;

typedef struct nrxi_net_term { size_t at; double w; int slot; } nrxi_net_term;

/* The terms of number `out` of linear node i, and its constant; 0 = the kind is not one of these. */
NRXI_FN size_t nrxi_net_row_of(const nrx_net_plan *p, size_t i, size_t out, nrxi_net_term *t,
    double *constant)
{
    const nrxi_net_layer *l = p->net->layer + i;
    const nrxi_net_map *a = p->map + l->in[0], *o = p->map + i, *b = l->in[1] < 0 ? a : p->map + l->in[1];
    const float *w = nrxi_net_weight(p, l, 0), *bias = nrxi_net_weight(p, l, 1);
    size_t area = o->h * o->w, from = a->h * a->w, c = out / area, y = out % area / o->w, x = out % o->w;
    size_t k, j, q, n = 0;
    *constant = 0;
#define NRXI_NET_TERM(index, weight, which) (t[n].at = (index), t[n].w = (weight), t[n].slot = (which), n++)
    switch (l->kind) {
    case NRXI_NET_CONV: case NRXI_NET_CONVT: {
        size_t cin = a->c / l->groups, cout = o->c / l->groups, first = c / cout * cin;
        for (q = first; q < first + cin; q++)
            for (k = 0; k < l->kh; k++)
                for (j = 0; j < l->kw; j++) {
                    size_t sy, sx, dy = k * l->dilation, dx = j * l->dilation;
                    if (l->kind == NRXI_NET_CONV) {
                        sy = nrxi_net_pad_index((ptrdiff_t)(y * l->stride + dy) - (ptrdiff_t)l->pad_y, a->h,
                            l->padding);
                        sx = nrxi_net_pad_index((ptrdiff_t)(x * l->stride + dx) - (ptrdiff_t)l->pad_x, a->w,
                            l->padding);
                        if (sy < a->h && sx < a->w)
                            NRXI_NET_TERM(q * from + sy * a->w + sx,
                                (double)w[((c * cin + q - first) * l->kh + k) * l->kw + j], 0);
                        continue;
                    }
                    if (y + l->pad_y < dy || x + l->pad_x < dx) continue;
                    sy = y + l->pad_y - dy; sx = x + l->pad_x - dx;
                    if (sy % l->stride || sx % l->stride || sy / l->stride >= a->h || sx / l->stride >= a->w)
                        continue;
                    NRXI_NET_TERM(q * from + sy / l->stride * a->w + sx / l->stride,
                        (double)w[((q * cout + c % cout) * l->kh + k) * l->kw + j], 0);
                }
        if (bias) *constant = (double)bias[c];
        break;
    }
    case NRXI_NET_DENSE:
        for (k = 0; k < a->size; k++) NRXI_NET_TERM(k, (double)w[out * a->size + k], 0);
        if (bias) *constant = (double)bias[out];
        break;
    case NRXI_NET_BIAS: NRXI_NET_TERM(out, 1, 0); *constant = (double)w[c]; break;
    case NRXI_NET_ADD:
        NRXI_NET_TERM(out, (double)(float)l->a, 0);
        if (l->in[1] >= 0) NRXI_NET_TERM(b->size == o->size ? out : b->c == o->c && b->h * b->w == 1 ? c : out
            % area,
            (double)(float)l->b, 1);
        break;
    case NRXI_NET_GAIN: NRXI_NET_TERM(out, (double)w[l->first ? c : 0], 0); break;
    case NRXI_NET_BATCHNORM:
        NRXI_NET_TERM(out, (double)nrxi_net_batchnorm_gain(p, l, c), 0);
        *constant = (double)bias[c] - t[0].w * (double)nrxi_net_weight(p, l, 2)[c];
        break;
    case NRXI_NET_CONCAT: NRXI_NET_TERM(out < a->size ? out : out - a->size, 1, out >= a->size); break;
    case NRXI_NET_SLICE: NRXI_NET_TERM(out + l->first * area, 1, 0); break;
    case NRXI_NET_AVGPOOL: case NRXI_NET_MAXPOOL:
        for (k = 0; k < l->first; k++)
            for (j = 0; j < l->first; j++)
                NRXI_NET_TERM(c * from + (y * l->first + k) * a->w + x * l->first + j,
                    1 / (double)(l->first * l->first), 0);
        break;
    case NRXI_NET_SUM: case NRXI_NET_MEAN:
        for (k = 0; k < a->size; k++) NRXI_NET_TERM(k, l->kind == NRXI_NET_SUM ? 1 : 1 / (double)a->size, 0);
        break;
    case NRXI_NET_SPATIAL_MEAN: for (k = 0; k < from; k++) NRXI_NET_TERM(c * from + k, 1 / (double)from, 0);
        break;
    case NRXI_NET_RESIZE: {
        size_t r[2], s[2];
        float fr, fs;
        if (!l->adjoint) { NRXI_NET_TERM(c * from + y / l->first * a->w + x / l->first, 1, 0); break; }
        nrxi_net_bilinear(y, l->first, a->h, r, r + 1, &fr);
        nrxi_net_bilinear(x, l->first, a->w, s, s + 1, &fs);
        for (k = 0; k < 4; k++) NRXI_NET_TERM(c * from + r[k / 2] * a->w + s[k % 2],
            (k / 2 ? (double)fr : 1 - (double)fr) * (k % 2 ? (double)fs : 1 - (double)fs), 0);
        break;
    }
    default: break;
    }
#undef NRXI_NET_TERM
    return n;
}

/* o += w z for one row; g: the rounding of the whole sum. */
NRXI_FN void nrxi_net_form_add(size_t n, double w, double g, const double *z, double *o)
{
    double size = fabs(w);
    const double *radius = z + 2 + 2 * n;
    size_t j;
    for (j = 0; j < 2 + 2 * n; j++) o[j] += w * z[j];
    o += 2 + 2 * n;
    o[0] += size * (radius[0] + g * radius[2 + n]);
    o[1] += size * (radius[1] + g * fabs(z[1]));
    for (j = 0; j < n; j++) o[2 + j] += size * (radius[2 + j] + g * fabs(z[2 + n + j]));
}

NRXI_FN void nrxi_net_form_interval(size_t n, double lo, double hi, double *z)
{
    z[1] = 0.5 * lo + 0.5 * hi;
    z[3 + 2 * n] = nrxi_net_max2(hi - z[1], z[1] - lo) * (1 + 1e-15) + 1e-15 * fabs(z[1]);
}

/* A row is complete: the rounding of its radii, its size, and its interval met with the range of the form. */
NRXI_FN void nrxi_net_form_close(size_t n, double g, double *z)
{
    double *radius = z + 2 + 2 * n, reach, lo, hi;
    size_t j;
    for (j = 0, reach = 0; j < n; j++) reach += fabs(z[2 + j]);
    radius[2 + n] = (fabs(z[0]) + reach) * (1 + 2 * g);
    for (j = 0; j < 2 + n; j++) radius[j] = radius[j] * (1 + 2 * g) + 1e-290; /* 1e-290: underflow */
    radius[0] += 1e-15 * radius[2 + n];
    radius[1] += 1e-15 * fabs(z[1]);
    reach = (reach + radius[0]) * (1 + 1e-15 + (double)n * 2.3e-16);
    lo = nrxi_net_max2(z[0] - reach - 1e-15 * fabs(z[0]), z[1] - radius[1] - 1e-15 * fabs(z[1]));
    hi = -nrxi_net_max2(-z[0] - reach - 1e-15 * fabs(z[0]), -z[1] - radius[1] - 1e-15 * fabs(z[1]));
    nrxi_net_form_interval(n, lo, hi, z);
}

/* ---- a pointwise function over an interval ---- */

typedef struct nrxi_net_profile {
    int    kind;                /* NRX_NET_*; -1 = ridge, -2 = spline, -3 = integral of a spline */
    double a, b, alpha;         /* ridge: s, kappa, alpha; spline: range */
    double rho;
    const float *knot;
    size_t knots;
    double curve;               /* |f''| <= curve between kinks */
    nrxi_net_act_bounds all;    /* over the real line */
    double scale;               /* numbers that f(t) is made from, for its rounding */
} nrxi_net_profile;

/* f(t) and its slope in f64. */
NRXI_FN double nrxi_net_profile_at(const nrxi_net_profile *q, double t, double *slope)
{
    double a = q->a, s, e, u;
    switch (q->kind) {
    case -1:
        s = a * t; u = q->b * s;
        s = s > 1 ? 1 : s < -1 ? -1 : s; u = u > 1 ? 1 : u < -1 ? -1 : u;
        *slope = q->alpha / a * (u - q->rho * s);
        return q->alpha / (a * a) * (u * (q->b * a * t - 0.5 * u) / q->b - q->rho * s * (a * t - 0.5 * s));
    case -2: case -3: {
        double step = 2 * a / (double)(q->knots - 1), sum = 0, at0 = 0, f0;
        size_t k = 0, k0 = 0, j;
        for (j = 0; j < 2; j++) { /* the cell of 0, then that of t */
            f0 = ((j ? t : 0) + a) / step;
            k = f0 >= (double)(q->knots - 1) ? q->knots - 2 : f0 > 0 ? (size_t)f0 : 0;
            e = f0 - (double)k;
            u = (double)q->knot[k + 1] - (double)q->knot[k];
            s = e * ((double)q->knot[k] + 0.5 * e * u);
            if (j == 0) { k0 = k; at0 = s; }
        }
        *slope = u / step;
        if (q->kind == -2) return (double)q->knot[k] + e * u;
        *slope = (double)q->knot[k] + e * u;
        for (j = k0; j < k; j++) sum += 0.5 * ((double)q->knot[j] + (double)q->knot[j + 1]);
        for (j = k; j < k0; j++) sum -= 0.5 * ((double)q->knot[j] + (double)q->knot[j + 1]);
        return (sum + s - at0) * step;
    }
    case NRX_NET_RELU: a = 0; /* fall through */
    case NRX_NET_LEAKY_RELU: *slope = t > 0 ? 1 : a; return t > 0 ? t : a * t;
    case NRX_NET_SMOOTH_RELU: *slope = t <= 0 ? 0 : t < a ? t / a : 1;
        return t <= 0 ? 0 : t < a ? t * t / (2 * a) : t - a / 2;
    case NRX_NET_SOFTPLUS: case NRX_NET_SOFTPLUS0:
        if (q->kind == NRX_NET_SOFTPLUS0) a = 1;
        e = exp(-fabs(a * t));
        *slope = t > 0 ? 1 / (1 + e) : e / (1 + e);
        return ((t > 0 ? a * t : 0) + log1p(e)) / a - (q->kind == NRX_NET_SOFTPLUS0 ? 0.69314718055994531 :
            0);
    case NRX_NET_ELU: e = t > 0 ? 0 : expm1(t); *slope = t > 0 ? 1 : a * (e + 1); return t > 0 ? t : a * e;
    case NRX_NET_CELU: e = t > 0 ? 0 : expm1(t / a); *slope = t > 0 ? 1 : e + 1; return t > 0 ? t : a * e;
    case NRX_NET_SILU: case NRX_NET_SIGMOID:
        e = exp(-fabs(t));
        s = t > 0 ? 1 / (1 + e) : e / (1 + e);
        *slope = q->kind == NRX_NET_SIGMOID ? s * (1 - s) : s * (1 + t * (1 - s));
        return q->kind == NRX_NET_SIGMOID ? s : t * s;
    case NRX_NET_TANH: s = tanh(t); *slope = 1 - s * s; return s;
    case NRX_NET_GELU:
        s = 0.5 * (1 + erf(t * 0.70710678118654752));
        *slope = s + t * 0.39894228040143268 * exp(-0.5 * t * t);
        return t * s;
    case NRX_NET_SINE: *slope = a * cos(a * t); return sin(a * t);
    case NRX_NET_HUBER: u = fabs(t); *slope = t > a ? 1 : t < -a ? -1 : t / a;
        return u <= a ? t * t / (2 * a) : u - a / 2;
    case NRX_NET_ABS: *slope = t > 0 ? 1 : -1; return fabs(t);
    case NRX_NET_SQUARE: *slope = 2 * t; return t * t;
    case NRX_NET_LOGCOSH: u = fabs(a * t); *slope = tanh(a * t);
        return (u + log1p(exp(-2 * u)) - 0.69314718055994531) / a;
    case NRX_NET_LOG_STUDENT: *slope = a * t / (1 + a * t * t); return 0.5 * log1p(a * t * t);
    case NRX_NET_EXP: *slope = exp(t); return *slope;
    case NRX_NET_IDENTITY: *slope = 1; return t;
    default: *slope = t > a && t < q->b ? 1 : 0; return t < a ? a : t > q->b ? q->b : t;
    }
}

/* The function of channel c of node l. */
NRXI_FN nrxi_net_profile nrxi_net_profile_of(const nrx_net_plan *p, const nrxi_net_layer *l, size_t c)
{
    nrxi_net_profile q;
    size_t k;
    memset(&q, 0, sizeof q);
    q.a = l->a; q.b = l->b; q.scale = 1;
    if (l->kind == NRXI_NET_ACT) {
        q.kind = l->act;
        q.all = nrxi_net_act_range(l->act, l->a);
        q.curve = nrxi_net_max2(fabs(q.all.d2_min), fabs(q.all.d2_max));
        if (nrxi_net_act_is_flat(q.kind)) q.curve = 0;
        if (q.kind == NRX_NET_ELU) q.curve = l->a;
        if (q.kind == NRX_NET_CLIP) q.scale = fabs(l->a) + fabs(l->b);
        if (q.kind == NRX_NET_LOGCOSH) q.scale = 1 + 1 / l->a;
        if (q.kind == NRX_NET_SINE) q.scale = 1 + l->a;
    } else if (l->kind == NRXI_NET_RIDGE) {
        q.kind = -1;
        q.a = exp((double)nrxi_net_weight(p, l, 0)[c]);
        q.b = exp((double)nrxi_net_weight(p, l, 1)[c]);
        q.alpha = exp((double)nrxi_net_weight(p, l, 2)[0]);
        q.rho = l->a;
        q.curve = q.alpha * (q.b + q.rho);
        q.all.d1_max = q.alpha / q.a * (1 + q.rho);
        q.all.d1_min = -q.all.d1_max;
        q.all.d2_min = -q.alpha * q.rho;
        q.all.d2_max = q.curve;
        q.scale = q.alpha / (q.a * q.a) * (1 + 1 / q.b);
    } else {
        double low = HUGE_VAL, high = -HUGE_VAL, top = 0;
        q.kind = l->adjoint ? -3 : -2;
        q.knot = nrxi_net_weight(p, l, 0) + c * l->knots;
        q.knots = l->knots;
        for (k = 0; k < q.knots; k++) {
            double slope = k ? ((double)q.knot[k] - (double)q.knot[k - 1]) * (double)(q.knots - 1) / (2 * q.a)
                : 0;
            top = nrxi_net_max2(top, fabs((double)q.knot[k]));
            if (k && slope < low) low = slope;
            if (k && slope > high) high = slope;
        }
        q.all.d1_min = q.all.d2_min = low; q.all.d1_max = q.all.d2_max = high;
        if (l->adjoint) { q.all.d1_min = -HUGE_VAL; q.all.d1_max = HUGE_VAL;
            q.curve = nrxi_net_max2(-low, high); }
        else { q.all.d2_min = -HUGE_VAL; q.all.d2_max = HUGE_VAL; }
        q.scale = top * (1 + q.a * (double)q.knots) + q.a * nrxi_net_max2(-low, high);
    }
    return q;
}

/* f(t) in slope*t + middle +- error, in [lo, hi], with f' in [d1_min, d1_max], for t in [l, u]. */
typedef struct nrxi_net_chord { double slope, middle, error, lo, hi, d1_min, d1_max; int kink; }
    nrxi_net_chord;

/* Between two neighbours of a grid of step h a function with |f''| <= D stays within D h^2/8 of its chord,
   and its slope within D h/2 of those at the ends; kinks are put into the grid. */
NRXI_FN nrxi_net_chord nrxi_net_chord_over(const nrxi_net_profile *q, double l, double u)
{
    nrxi_net_chord o;
    double curve = q->kind == NRX_NET_EXP ? exp(u) : q->curve, width = u - l, step, d, f, g, g_min = HUGE_VAL,
        g_max = -HUGE_VAL, fl, fu, bow, off;
    size_t k, extra = 0, cells;
    memset(&o, 0, sizeof o);
    cells = curve > 0 ? 16 + (size_t)(4 * sqrt(nrxi_net_max2(0, width * curve) < 900 ? width * curve : 900)) :
        1;
    step = width / (double)cells;
    if (q->kind == NRX_NET_RELU || q->kind == NRX_NET_LEAKY_RELU || q->kind == NRX_NET_ABS || q->kind ==
        NRX_NET_ELU) extra = 1;
    else if (q->kind == NRX_NET_CLIP) extra = 2;
    else if (q->kind == -2) extra = q->knots;
    fl = nrxi_net_profile_at(q, l, &d);
    fu = nrxi_net_profile_at(q, u, &d);
    o.lo = o.d1_min = HUGE_VAL;
    o.hi = o.d1_max = -HUGE_VAL;
    o.slope = width > 0 ? (fu - fl) / width : d;
    if (o.slope > q->all.d1_max || !nrxi_finite_f64(&o.slope)) o.slope = d;
    if (o.slope < q->all.d1_min) o.slope = d;
    for (k = 0; k <= cells + extra; k++) {
        double t = k < cells ? l + (double)k * step : u;
        if (k > cells) { /* kinks */
            t = q->kind == NRX_NET_CLIP ? k == cells + 1 ? q->a : q->b
                : q->kind == -2 ? q->a * (2 * (double)(k - cells - 1) / (double)(q->knots - 1) - 1) : 0;
            if (t < l || t > u) continue;
            o.kink = 1;
        }
        f = nrxi_net_profile_at(q, t, &d);
        g = f - o.slope * t;
        if (g < g_min) g_min = g;
        if (g > g_max) g_max = g;
        if (f < o.lo) o.lo = f;
        if (f > o.hi) o.hi = f;
        if (d < o.d1_min) o.d1_min = d;
        if (d > o.d1_max) o.d1_max = d;
    }
    step *= 1 + 1e-12;
    off = nrxi_net_max2(fabs(l), fabs(u)); /* rounding: of f, of the line, and of t where f is steep */
    off = 1.5e-14 * (nrxi_net_max2(fabs(o.lo), fabs(o.hi)) + off * (fabs(o.slope) +
        nrxi_net_max2(fabs(o.d1_min),
        fabs(o.d1_max)) + curve * (step + 1e-15 * off)) + q->scale);
    if (q->all.d1_min == q->all.d1_max) off = 0; /* the identity */
    if (o.kink) { o.d1_min = q->all.d1_min; o.d1_max = q->all.d1_max; }
    else if (q->all.d2_min < 0) { o.d1_min -= curve * step / 2; o.d1_max += curve * step / 2; }
    bow = curve * step * step / 8;
    if (!o.kink && bow > (o.d1_max - o.d1_min) * step / 4) bow = (o.d1_max - o.d1_min) * step / 4;
    if (o.d1_min < 0 && o.d1_max > 0) { o.lo -= bow; o.hi += bow; }
    d = 1.5e-14 * (nrxi_net_max2(fabs(o.d1_min), fabs(o.d1_max)) + curve * nrxi_net_max2(fabs(l), fabs(u))
        + (q->all.d1_min == q->all.d1_max ? 0 : q->scale * (q->kind == -1 ? q->a : 1)));
    o.d1_min = nrxi_net_max2(o.d1_min - d, q->all.d1_min);
    o.d1_max = o.d1_max + d < q->all.d1_max ? o.d1_max + d : q->all.d1_max;
    o.middle = 0.5 * g_min + 0.5 * g_max;
    o.error = (0.5 * (g_max - g_min) + bow) * (1 + 1e-14) + off;
    o.lo -= off;
    o.hi += off;
    return o;
}

/* y = f(z) row by row. */
NRXI_FN void nrxi_net_form_function(nrxi_net_forms *f, size_t i)
{
    const nrxi_net_layer *l = f->p->net->layer + i;
    const nrxi_net_map *map = f->p->map + i;
    nrxi_net_act_bounds *b = f->local + i;
    nrxi_net_profile q;
    size_t n = f->n, k, j, area = map->h * map->w;
    int kink = 0;
    for (k = 0; k < map->size; k++) {
        const double *z = f->row[l->in[0]] + k * f->width;
        double *y = f->row[i] + k * f->width, *radius = y + 2 + 2 * n, mid, half;
        nrxi_net_chord o;
        if (k % area == 0) q = nrxi_net_profile_of(f->p, l, k / area);
        if (k == 0) { *b = q.all; b->d1_min = HUGE_VAL; b->d1_max = -HUGE_VAL; }
        o = nrxi_net_chord_over(&q, z[1] - z[3 + 2 * n], z[1] + z[3 + 2 * n]);
        nrxi_net_form_add(n, o.slope, 1e-15, z, y);
        y[0] += o.middle;
        radius[0] += o.error;
        mid = 0.5 * (o.d1_min + o.d1_max);
        half = (0.5 * (o.d1_max - o.d1_min)) * (1 + 1e-15) + (o.d1_max > o.d1_min ? 1e-15 * fabs(mid) : 0);
        for (j = 0; j < n; j++) {
            double slope = z[2 + n + j], around = z[4 + 2 * n + j];
            y[2 + n + j] = mid * slope;
            radius[2 + j] = ((fabs(mid) + half) * around + (half + 4e-16 * fabs(mid)) * fabs(slope)) * (1 +
                1e-15);
        }
        nrxi_net_form_interval(n, o.lo, o.hi, y);
        nrxi_net_form_close(n, 1e-15, y);
        if (o.d1_min < b->d1_min) b->d1_min = o.d1_min;
        if (o.d1_max > b->d1_max) b->d1_max = o.d1_max;
        kink |= o.kink;
    }
    if (l->kind == NRXI_NET_ACT && nrxi_net_act_is_flat(l->act) && !kink) b->d2_min = b->d2_max = 0;
    if (l->kind == NRXI_NET_ACT && l->act == NRX_NET_EXP) { b->d2_min = b->d1_min; b->d2_max = b->d1_max; }
}

/* Row y = product of rows u and v: u v = u0 v + v0 u - u0 v0 + (u - u0)(v - v0). */
NRXI_FN void nrxi_net_form_product(size_t n, const double *u, const double *v, double *y)
{
    double um = u[1], us = u[3 + 2 * n], vm = v[1], vs = v[3 + 2 * n], *radius = y + 2 + 2 * n, lo, hi;
    size_t j;
    nrxi_net_form_add(n, um, 4e-16, v, y);
    nrxi_net_form_add(n, vm, 4e-16, u, y);
    y[0] -= um * vm;
    radius[0] += us * vs + 1e-15 * fabs(um * vm);
    for (j = 0; j < n; j++) /* form_add has |um| K_v + |vm| K_u already */
        radius[2 + j] += us * (fabs(v[2 + n + j]) + v[4 + 2 * n + j]) +
            vs * (fabs(u[2 + n + j]) + u[4 + 2 * n + j]);
    lo = fabs(um) * vs + fabs(vm) * us + us * vs;
    hi = um * vm + lo;
    lo = um * vm - lo;
    nrxi_net_form_interval(n, lo, hi, y);
    nrxi_net_form_close(n, 4e-16, y);
}

/* Row y = maximum of `count` rows: that of one which is never below the others, else what covers all. */
NRXI_FN void nrxi_net_form_max(const nrxi_net_forms *f, const double *row, const nrxi_net_term *t,
    size_t count, double *y)
{
    size_t n = f->n, k, j, best = 0;
    double lo = -HUGE_VAL, hi = -HUGE_VAL, rest = -HUGE_VAL;
    for (k = 0; k < count; k++) {
        const double *z = row + t[k].at * f->width;
        double low = z[1] - z[3 + 2 * n];
        if (low > lo) { lo = low; best = k; }
        hi = nrxi_net_max2(hi, z[1] + z[3 + 2 * n]);
    }
    for (k = 0; k < count; k++) {
        const double *z = row + t[k].at * f->width;
        if (k != best) rest = nrxi_net_max2(rest, z[1] + z[3 + 2 * n]);
    }
    if (lo - 1e-15 * fabs(lo) > rest + 1e-15 * fabs(rest)) { memcpy(y, row + t[best].at * f->width,
        f->width * sizeof *y); return; }
    for (j = 0; j < n; j++) {
        double a = HUGE_VAL, b = -HUGE_VAL;
        for (k = 0; k < count; k++) {
            const double *z = row + t[k].at * f->width;
            a = -nrxi_net_max2(-a, z[4 + 2 * n + j] - z[2 + n + j]);
            b = nrxi_net_max2(b, z[2 + n + j] + z[4 + 2 * n + j]);
        }
        y[2 + n + j] = 0.5 * (a + b);
        y[4 + 2 * n + j] = 0.5 * (b - a) + 1e-15 * (fabs(a) + fabs(b));
    }
    nrxi_net_form_interval(n, lo, hi, y);
    y[0] = y[1];
    y[2 + 2 * n] = y[3 + 2 * n];
    nrxi_net_form_close(n, 1e-15, y);
}

/* Forms of node i from those of its inputs. */
NRXI_FN nrx_status nrxi_net_form_node(nrxi_net_forms *f, size_t i, nrxi_net_term *t)
{
    const nrx_net_plan *p = f->p;
    const nrxi_net_layer *l = p->net->layer + i;
    size_t k, j, n = f->n, count;
    double constant;
    if (l->kind == NRXI_NET_ACT || l->kind == NRXI_NET_RIDGE || l->kind == NRXI_NET_SPLINE)
        nrxi_net_form_function(f, i);
    else
        for (k = 0; k < p->map[i].size; k++) {
            double *y = f->row[i] + k * f->width, g;
            if (l->kind == NRXI_NET_MUL) {
                nrxi_net_form_product(n, f->row[l->in[0]] + k * f->width, f->row[l->in[1]] + k * f->width, y);
                continue;
            }
            count = nrxi_net_row_of(p, i, k, t, &constant);
            if (count == 0 && l->kind != NRXI_NET_CONV && l->kind != NRXI_NET_CONVT) return NRX_E_UNSUPPORTED;
            if (l->kind == NRXI_NET_MAXPOOL) { nrxi_net_form_max(f, f->row[l->in[0]], t, count, y); continue;
                }
            g = 1.2e-16 * (double)(count + 4); /* 1.2e-16 > u/(1 - k u) up to k = 6e14 */
            for (j = 0; j < count; j++) nrxi_net_form_add(n, t[j].w, g,
                f->row[l->in[t[j].slot]] + t[j].at * f->width, y);
            y[0] += constant;
            y[1] += constant;
            nrxi_net_form_close(n, g, y);
        }
    for (k = 0; k < p->map[i].size; k++) {
        const double *y = f->row[i] + k * f->width;
        f->peak[i] = nrxi_net_max2(f->peak[i], fabs(y[1]) + y[3 + 2 * n]);
    }
    return nrxi_finite_f64(f->peak + i) ? NRX_OK : NRX_E_RANGE;
}

/* Bound of the Lipschitz constant from the Jacobian's box, |J| + |K|; f32 copies for the matrix norm; -1 without
   memory. */
NRXI_FN double nrxi_net_form_lip(const nrxi_net_forms *f, const double *row, size_t m)
{
    size_t n = f->n, k, j;
    float *w = (float *)nrxi_alloc(&f->p->env, m * n, sizeof *w);
    double rest = 0, one = 0;
    if (!w) return -1;
    for (k = 0; k < m; k++)
        for (j = 0; j < n; j++) {
            double v = row[k * f->width + 2 + n + j], r = row[k * f->width + 4 + 2 * n + j];
            w[k * n + j] = (float)v;
            one += (fabs(v) + r) * (fabs(v) + r);
            r += fabs(v - (double)w[k * n + j]);
            rest += r * r;
        }
    rest = nrxi_net_matrix_norm(&f->p->env, w, m, n) + sqrt(rest);
    nrxi_free(&f->p->env, w);
    return (rest < sqrt(one) ? rest : sqrt(one)) * (1 + 1e-12);
}

/* box: what is known over a box, or NULL. */
NRXI_FN nrx_status nrxi_net_prove_node(nrx_net_plan *p, size_t i, nrxi_net_proof *proof, double *work,
    int sized, const nrxi_net_forms *box, nrx_net_report *r)
{
    const nrxi_net_layer *l = p->net->layer + i, *before = p->net->layer + l->in[0];
    const nrxi_net_map *o = p->map + i, *a = p->map + l->in[0];
    nrxi_net_proof z = proof[l->in[0]], y = z, *out = proof + i;
    const float *w = nrxi_net_weight(p, l, 0);
    double big = HUGE_VAL, count = sized ? (double)a->size : big, area = sized ? (double)(a->h * a->w)
        : big, n2, norm, top = 0, low = 0;
    nrxi_net_columns cs;
    nrx_status s;
    size_t k, c;
    nrxi_net_act_bounds b;
    if (l->in[1] >= 0) y = proof[l->in[1]];
    switch (l->kind) {
    case NRXI_NET_CONV: case NRXI_NET_CONVT: case NRXI_NET_DENSE: {
        const nrxi_net_param *q = p->net->param + l->param[0];
        if (l->kind == NRXI_NET_DENSE) norm = nrxi_net_matrix_norm(&p->env, w, q->rows, q->cols);
        else {
            for (c = 0; c < q->rows; c++) work[c] = 1;
            /* a transposed convolution has the norm of the convolution with the same weights: rows = its
               input channels */
            s = nrxi_net_conv_norm2(p, l, w, q->rows, q->shape[1] * l->groups, work, &n2);
            if (s != NRX_OK) return s;
            norm = sqrt(n2);
        }
        s = nrxi_net_column_sums(p, l, w, q, a->c, &cs);
        if (s != NRX_OK) return s;
        *out = nrxi_net_proof_linear(z, norm, cs.pos, cs.neg);
        if (z.up == 0 && cs.neg > 0 && z.down > 0) nrxi_net_blame(r, l, i, cs.negative, cs.value);
        break;
    }
    case NRXI_NET_ACT:
        b = box ? box->local[i] : nrxi_net_act_range(l->act, l->a);
        *out = nrxi_net_proof_pointwise(z, b);
        if (l->act == NRX_NET_SQUARE && l->in[0] == 0) out->strong = 2;
        if (l->act == NRX_NET_SQUARE && z.smooth == 0) out->up = 0;
        if (z.up == 0 && out->up > 0) nrxi_net_blame(r, l, i, 0, 0);
        break;
    case NRXI_NET_RIDGE: case NRXI_NET_SPLINE: {
        double *d = work;
        for (c = 0; c < o->c; c++) {
            double lo = big, hi = -big;
            if (l->kind == NRXI_NET_RIDGE) {
                double alpha = exp((double)nrxi_net_weight(p, l, 2)[0]),
                    kappa = exp((double)nrxi_net_weight(p, l, 1)[c]);
                lo = -alpha * l->a;
                hi = alpha * kappa - (kappa >= 1 ? alpha * l->a : 0);
                if (kappa < 1 && alpha * (kappa - l->a) > lo) lo = -alpha * l->a;
                if (hi < 0) hi = 0;
            } else
                for (k = 0; k + 1 < l->knots; k++) {
                    double slope = ((double)w[c * l->knots + k + 1] - (double)w[c * l->knots + k]) / (2
                        * l->a / (double)(l->knots - 1));
                    if (slope < 0 && low >= 0 && l->adjoint) nrxi_net_blame(r, l, i, c * l->knots + k, slope);
                    lo = slope < lo ? slope : lo;
                    hi = slope > hi ? slope : hi;
                    low = low < slope ? low : slope;
                }
            d[c] = nrxi_net_max2(fabs(lo), fabs(hi));
            top = nrxi_net_max2(top, hi);
            low = low < lo ? low : lo;
        }
        b.d1_min = -big; b.d1_max = big; b.d2_min = low; b.d2_max = top;
        if (l->kind == NRXI_NET_SPLINE && !l->adjoint) { b.d1_min = low; b.d1_max = top; b.d2_min = -big;
            b.d2_max = big; }
        if (box) { b.d1_min = box->local[i].d1_min; b.d1_max = box->local[i].d1_max; }
        *out = nrxi_net_proof_pointwise(z, b);
        if (z.smooth == 0 && z.up == 0 && z.down == 0 && b.d2_max < big) { /* of affine maps */
            double l2 = nrxi_net_times(z.lip, z.lip);
            out->up = nrxi_net_times(nrxi_net_max2(-low, 0), l2);
            out->down = nrxi_net_times(nrxi_net_max2(top, 0), l2);
            out->smooth = nrxi_net_times(nrxi_net_max2(top, -low), l2);
            if (before->kind == NRXI_NET_CONV && before->in[0] == 0) {
                /* profiles weigh the filters: ||diag(sqrt(d)) W||^2 is sharper */
                const nrxi_net_param *q = p->net->param + before->param[0];
                s = nrxi_net_conv_norm2(p, before, nrxi_net_weight(p, before, 0), q->rows,
                    q->shape[1] * before->groups, d, &n2);
                if (s != NRX_OK) return s;
                if (n2 < out->smooth) out->smooth = n2;
            }
        }
        if (z.up == 0 && out->up > 0) nrxi_net_blame(r, l, i, 0, low);
        break;
    }
    case NRXI_NET_BIAS: *out = z; break;
    case NRXI_NET_ADD: {
        double ka = fabs(l->a), kb = l->in[1] >= 0 ? fabs(l->b) : 0, copies = l->in[1] >= 0
            && p->map[l->in[1]].size != o->size ? (p->map[l->in[1]].c == 1 ? (double)o->c : area) : 1;
        out->lip = nrxi_net_times(ka, z.lip) + nrxi_net_times(kb * sqrt(copies), y.lip);
        out->smooth = nrxi_net_times(ka, z.smooth) + nrxi_net_times(kb * copies, y.smooth);
        out->up = nrxi_net_times(ka, l->a > 0 ? z.up : z.down) + nrxi_net_times(kb * copies, l->b > 0 ? y.up
            : y.down);
        out->down = nrxi_net_times(ka, l->a > 0 ? z.down : z.up) + nrxi_net_times(kb * copies, l->b > 0
            ? y.down : y.up);
        out->strong = (l->a > 0 ? ka * z.strong : 0) + (l->in[1] >= 0 && l->b > 0 && copies == 1
            ? kb * y.strong : 0);
        if (out->up > 0 && z.up == 0 && (l->in[1] < 0 || y.up == 0)) nrxi_net_blame(r, l, i, 0, l->a < 0
            ? l->a : l->b);
        break;
    }
    case NRXI_NET_GAIN: case NRXI_NET_BATCHNORM: {
        double pos = 0, neg = 0, least = big;
        size_t index = 0, m = l->kind == NRXI_NET_GAIN && !l->first ? 1 : o->c;
        for (c = 0; c < m; c++) {
            double f = l->kind == NRXI_NET_GAIN ? (double)w[c] : (double)nrxi_net_batchnorm_gain(p, l, c);
            if (f > pos) pos = f;
            if (-f > neg) { neg = -f; index = c; }
            if (f < least) least = f;
        }
        *out = nrxi_net_proof_linear(z, nrxi_net_max2(pos, neg), pos, neg);
        out->strong = least > 0 ? least * z.strong : 0;
        if (z.up == 0 && neg > 0 && z.down > 0) nrxi_net_blame(r, l, i, index, -neg);
        break;
    }
    /* block diagonal over frequencies: the largest Frobenius norm among the blocks */
    case NRXI_NET_SPECTRAL: {
        const nrxi_net_param *q = p->net->param + l->param[0];
        size_t modes = nrxi_net_modes(l), pairs = q->rows * q->cols / (2 * modes);
        for (k = 0, norm = 0; k < modes; k++) {
            for (c = 0, n2 = 0; c < pairs; c++) {
                const float *v = w + 2 * (c * modes + k);
                n2 += (double)v[0] * (double)v[0] + (double)v[1] * (double)v[1];
            }
            norm = nrxi_net_max2(norm, sqrt(n2));
        }
        out->lip = nrxi_net_times(norm, z.lip);
        out->smooth = z.smooth == 0 ? 0 : big;
        out->up = out->down = z.up == 0 && z.down == 0 ? 0 : big;
        break;
    }
    case NRXI_NET_GRID: case NRXI_NET_MUL:
        /* (uv)'' needs bounds on u and v themselves, which only a box has; for squares use the activation */
        out->lip = out->smooth = out->up = out->down = big;
        if (z.lip == 0 && y.lip == 0) out->lip = out->smooth = out->up = out->down = 0;
        else if (box && l->kind == NRXI_NET_MUL) {
            top = box->peak[l->in[0]]; low = box->peak[l->in[1]];
            out->lip = nrxi_net_times(top, y.lip) + nrxi_net_times(low, z.lip);
            out->smooth = nrxi_net_times(top, y.smooth) + nrxi_net_times(low, z.smooth)
                + 2 * nrxi_net_times(z.lip, y.lip);
            out->up = out->down = out->smooth;
        }
        nrxi_net_blame(r, l, i, 0, 0);
        break;
    case NRXI_NET_CONCAT:
        out->lip = sqrt(z.lip * z.lip + y.lip * y.lip);
        out->smooth = z.smooth + y.smooth; out->up = z.up + y.up; out->down = z.down + y.down;
        break;
    case NRXI_NET_SLICE: *out = z; out->strong = 0; break;
    case NRXI_NET_AVGPOOL: norm = 1.0 / (double)l->first; *out = nrxi_net_proof_linear(z, norm, norm * norm,
        0); break;
    case NRXI_NET_MAXPOOL: /* a maximum of convex functions; each input is read once */
        *out = z;
        out->smooth = z.lip == 0 ? 0 : big;
        out->down = z.lip == 0 ? 0 : big;
        out->strong = 0;
        break;
    case NRXI_NET_SUM: *out = nrxi_net_proof_linear(z, sqrt(count), 1, 0); out->strong = z.strong; break;
    case NRXI_NET_MEAN:
        *out = nrxi_net_proof_linear(z, 1 / sqrt(count), 1 / count, 0);
        if (!sized) { out->lip = z.lip; out->smooth = z.smooth; out->up = z.up; out->down = z.down; }
        out->strong = sized ? z.strong / count : 0;
        break;
    case NRXI_NET_SPATIAL_MEAN:
        *out = nrxi_net_proof_linear(z, 1 / sqrt(area), 1 / area, 0);
        if (!sized) *out = z;
        out->strong = 0;
        break;
    case NRXI_NET_RESIZE: norm = (double)l->first; *out = nrxi_net_proof_linear(z, norm, norm * norm, 0);
        break;
    case NRXI_NET_OPERATOR:
        out->lip = l->op.norm > 0 ? nrxi_net_times(fabs(l->a) * l->op.norm, z.lip) : big;
        out->smooth = z.smooth == 0 ? 0 : big;
        out->up = z.up == 0 && z.down == 0 ? 0 : big;
        out->down = out->up;
        out->strong = 0;
        break;
    default: /* group norm: nothing is known */
        out->lip = out->smooth = out->up = out->down = z.lip == 0 ? 0 : big;
        nrxi_net_blame(r, l, i, 0, 0);
        break;
    }
    return NRX_OK;
}

NRXI_FN void nrxi_net_report_text(nrx_net_report *r)
{
    nrxi_text t;
    t.at = r->text;
    t.end = r->text + sizeof r->text - 1;
    if (r->convexity == NRX_CONVEX) nrxi_put_string(&t, r->mu > 0 ? "strongly convex, mu " : "convex");
    else if (r->convexity == NRX_WEAKLY_CONVEX) { nrxi_put_string(&t, "weakly convex, rho ");
        nrxi_put_double(&t, r->rho); }
    else nrxi_put_string(&t, "convexity not proven");
    if (r->convexity == NRX_CONVEX && r->mu > 0) nrxi_put_double(&t, r->mu);
    if (!nrxi_net_is_infinite(r->lip_gradient)) { nrxi_put_string(&t, ", gradient Lipschitz ");
        nrxi_put_double(&t, r->lip_gradient); }
    if (!nrxi_net_is_infinite(r->lip)) { nrxi_put_string(&t, ", Lipschitz "); nrxi_put_double(&t, r->lip); }
    if (r->convexity != NRX_CONVEX && r->node >= 0) {
        nrxi_put_string(&t, "; lost at layer ");
        nrxi_put_string(&t, r->layer);
        if (r->value < 0) {
            nrxi_put_string(&t, ", entry ");
            nrxi_put_unsigned(&t, r->index);
            nrxi_put_string(&t, " = ");
            nrxi_put_double(&t, r->value);
        }
    }
    *t.at = 0;
}

NRXI_FN nrx_status nrxi_net_prove(const nrx_net *net, size_t height, size_t width, const nrxi_net_forms *box,
    nrx_net_report *report, const char *who)
{
    nrx_net_plan p;
    nrx_net_plan_desc d;
    void *arrays = NULL;
    nrxi_net_proof *proof = NULL, *out;
    double *work = NULL;
    nrx_status s;
    size_t i, k, widest = 1;
    int sized = height > 0 && width > 0;
    if (!net || !report) return nrxi_fail(net ? &net->env : NULL, NRX_E_ARG, "%s: %s is NULL", who,
        net ? "report" : "net");
    memset(report, 0, sizeof *report);
    report->node = -1;
    report->rho = report->lip = report->lip_gradient = HUGE_VAL;
    report->parameters = net->count;
    for (i = 0; i < net->params; i++)
        for (k = 0; k < net->param[i].rows * net->param[i].cols; k++)
            if (!nrxi_finite_f32(net->theta + net->param[i].offset + k)) {
                const nrxi_net_param *q = net->param + i;
                for (widest = 0; widest < net->layers; widest++)
                    if (net->layer[widest].param[0] == (int)i || net->layer[widest].param[1] == (int)i
                        || net->layer[widest].param[2] == (int)i) report->node = (int)widest;
                report->index = k;
                report->value = (double)net->theta[q->offset + k];
                nrxi_net_name(report->layer, sizeof report->layer, q->name, "", 0);
                nrxi_net_name(report->text, sizeof report->text, "refused: a parameter is not finite", "", 0);
                return nrxi_fail(&net->env, NRX_E_NUMERIC, "%s: %s[%zu] = %g is not finite", who,
                    q->name, k, report->value);
            }
    memset(&d, 0, sizeof d);
    d.mode = NRX_NET_INFER;
    d.height = sized ? height : 64;
    d.width = sized ? width : 64;
    for (i = 1; !sized && i < net->layers; i++) /* a dense layer on the input has one size only */
        if (net->layer[i].kind == NRXI_NET_DENSE && net->layer[i].in[0] == 0) d.height = d.width = 1;
    s = nrxi_net_plan_measure(net, &d, &p, &arrays, who);
    if (s != NRX_OK) { nrxi_free(&p.env, arrays); return s; }
    for (i = 0; i < net->params; i++) if (widest < net->param[i].rows) widest = net->param[i].rows;
    for (i = 0; i < net->layers; i++) if (widest < net->layer[i].channels) widest = net->layer[i].channels;
    proof = (nrxi_net_proof *)nrxi_calloc(&net->env, net->layers, sizeof *proof);
    work = (double *)nrxi_alloc(&net->env, widest, sizeof *work);
    p.weff = (float *)nrxi_alloc(&net->env, net->count + 1, sizeof(float));
    if (proof && work && p.weff) {
        nrxi_net_refresh(&p);
        proof[0].lip = 1;
        for (i = 1; s == NRX_OK && i <= (size_t)p.output; i++) s = nrxi_net_prove_node(&p, i, proof, work,
            sized, box, report);
        out = proof + p.output;
        report->lip = out->lip;
        report->lip_gradient = out->smooth;
        report->rho = out->up;
        report->mu = out->up == 0 ? out->strong : 0;
        if (out->up > 0 && out->strong > 0 && out->strong >= out->up) { report->rho = 0;
            report->mu = out->strong - out->up; }
        report->convexity = report->rho == 0 ? NRX_CONVEX : nrxi_net_is_infinite(report->rho) ? 0
            : NRX_WEAKLY_CONVEX;
        if (report->convexity == NRX_CONVEX) { report->node = -1; report->layer[0] = 0; }
        nrxi_net_report_text(report);
    } else s = NRX_E_NOMEM;
    nrxi_free(&net->env, proof);
    nrxi_free(&net->env, work);
    nrxi_free(&net->env, p.weff);
    nrxi_free(&p.env, arrays);
    return s == NRX_OK ? s : nrxi_fail(&net->env, s, "%s: %s", who, nrx_status_string(s));
}

NRX_DEF nrx_status nrx_net_certify(const nrx_net *net, size_t height, size_t width, nrx_net_report *report)
{
    return nrxi_net_prove(net, height, width, NULL, report, "nrx_net_certify");
}

NRX_DEF nrx_status nrx_net_bounds(const nrx_net *net, size_t height, size_t width, const nrx_net_box *box,
    double *lower,
    double *upper, nrx_net_report *report)
{
    nrx_net_plan p;
    nrx_net_plan_desc d = NRX_ZERO;
    nrx_net_report local;
    nrxi_net_forms f;
    nrxi_net_term *t = NULL;
    size_t *last = NULL, i, k, most = 4, size = 0;
    void *arrays = NULL;
    nrx_status s;
    if (!net || !box || (!box->lower != !box->upper) || (!box->lower && !box->centre))
        return nrxi_fail(box ? &box->env : NULL, NRX_E_ARG, "nrx_net_bounds: %s", !net ? "net is NULL" : !box
            ? "box is NULL" : "a box is lower and upper, or centre and radius");
    d.height = height; d.width = width; d.env = box->env;
    s = nrxi_net_plan_measure(net, &d, &p, &arrays, "nrx_net_bounds");
    memset(&f, 0, sizeof f);
    f.p = &p;
    if (s == NRX_OK) size = p.map[0].size;
    for (i = 0; i < size; i++) { /* not a number fails too */
        double lo = box->lower ? (double)box->lower[i] : (double)box->centre[i] - box->radius,
            hi = box->lower ? (double)box->upper[i] : (double)box->centre[i] + box->radius;
        if (!(lo <= hi) || !nrxi_finite_f64(&lo) || !nrxi_finite_f64(&hi)) {
            s = nrxi_fail(&p.env, NRX_E_ARG, "nrx_net_bounds: the box is [%g, %g] at number %zu", lo, hi, i);
            break;
        }
    }
    if (s != NRX_OK) { nrxi_free(&p.env, arrays); return s; }
    f.n = box->interval ? 0 : size;
    f.width = 5 + 3 * f.n;
    for (i = 0; i < net->layers; i++) {
        const nrxi_net_layer *l = net->layer + i;
        size_t from = l->in[0] < 0 ? 0 : p.map[l->in[0]].size;
        if (l->kind == NRXI_NET_CONV || l->kind == NRXI_NET_CONVT) from = p.map[l->in[0]].c * l->kh * l->kw;
        if (most < from) most = from;
    }
    t = (nrxi_net_term *)nrxi_alloc(&p.env, most, sizeof *t);
    last = (size_t *)nrxi_calloc(&p.env, net->layers, sizeof *last);
    f.row = (double **)nrxi_calloc(&p.env, net->layers, sizeof *f.row);
    f.peak = (double *)nrxi_calloc(&p.env, net->layers, sizeof *f.peak);
    f.local = (nrxi_net_act_bounds *)nrxi_calloc(&p.env, net->layers, sizeof *f.local);
    p.weff = (float *)nrxi_alloc(&p.env, net->count + 1, sizeof(float));
    if (!t || !last || !f.row || !f.peak || !f.local || !p.weff) s = NRX_E_NOMEM;
    else nrxi_net_refresh(&p);
    for (i = 0; s == NRX_OK && i <= (size_t)p.output; i++)
        for (k = 0; k < 2; k++) if (net->layer[i].in[k] >= 0) last[net->layer[i].in[k]] = i;
    for (i = 0; s == NRX_OK && i <= (size_t)p.output; i++) {
        const nrxi_net_layer *l = net->layer + i;
        if (i && i != (size_t)p.output && last[i] == 0) continue; /* nobody reads it */
        f.row[i] = nrxi_mul_ok(p.map[i].size, f.width, &k) ? (double *)nrxi_calloc(&p.env, k, sizeof(double))
            : NULL;
        if (!f.row[i]) { s = NRX_E_NOMEM; break; }
        for (k = 0; i == 0 && k < size; k++) {
            double *z = f.row[0] + k * f.width;
            if (box->lower) nrxi_net_form_interval(f.n, (double)box->lower[k], (double)box->upper[k], z);
            else nrxi_net_form_interval(f.n, (double)box->centre[k] - box->radius,
                (double)box->centre[k] + box->radius, z);
            z[0] = z[1];
            if (f.n) { z[2 + k] = z[3 + 2 * f.n]; z[2 + f.n + k] = 1; }
            else z[2] = z[3];
            nrxi_net_form_close(f.n, 4e-16, z);
        }
        if (i) s = nrxi_net_form_node(&f, i, t);
        if (s != NRX_OK) (void)nrxi_fail(&p.env, s, s == NRX_E_RANGE
            ? "nrx_net_bounds: the bounds overflow at layer %s (node %zu)"
            : "nrx_net_bounds: nothing is known of layer %s (node %zu)", l->name, i);
        for (k = 0; k < 2; k++) if (l->in[k] >= 0 && last[l->in[k]] == i && f.row[l->in[k]]) {
            nrxi_free(&p.env, f.row[l->in[k]]);
            f.row[l->in[k]] = NULL;
        }
    }
    if (s == NRX_E_NOMEM) (void)nrxi_fail(&p.env, s, "nrx_net_bounds: no memory for %zu numbers each of %zu",
        f.width, most);
    if (s == NRX_OK) {
        const double *z = f.row[p.output];
        double lip = f.n ? nrxi_net_form_lip(&f, z, p.map[p.output].size) : HUGE_VAL;
        for (i = 0; i < p.map[p.output].size; i++) {
            double m = z[i * f.width + 1], r = z[i * f.width + 3 + 2 * f.n] + 1e-15 * fabs(m);
            if (lower) lower[i] = m - r;
            if (upper) upper[i] = m + r;
        }
        if (lip < 0) s = nrxi_fail(&p.env, NRX_E_NOMEM, "nrx_net_bounds: no memory for the Jacobian");
        else s = nrxi_net_prove(net, p.map[0].h, p.map[0].w, &f, report ? report : &local, "nrx_net_bounds");
        if (report && s == NRX_OK && lip < report->lip) { report->lip = lip; nrxi_net_report_text(report); }
    }
    for (i = 0; f.row && i < net->layers; i++) nrxi_free(&p.env, f.row[i]);
    nrxi_free(&p.env, t); nrxi_free(&p.env, last); nrxi_free(&p.env, f.row);
    nrxi_free(&p.env, f.peak); nrxi_free(&p.env, f.local); nrxi_free(&p.env, p.weff);
    nrxi_free(&p.env, arrays);
    return s;
}

/* ---- regularizers as functionals ---- */

typedef struct nrxi_net_regularizer {
    nrx_env env;
    const nrx_net *net;
    nrx_net_plan  *plan;      /* NULL on the ridge path */
    int     owned;
    size_t  height, width, n;
    double  weight, scale;
    nrx_net_report proof;
    /* ridge path */
    nrxi_net_conv conv;
    float  *weff, *x, *padded, *strip, *grad, *packed, *value;
    size_t *off, *back;
} nrxi_net_regularizer;

#define NRXI_NET_STRIP 12u   /* rows evaluated at a time on the ridge path, and channels */
#define NRXI_NET_STRIP_C 8u

/* input - convolution - pointwise - sum: the shape of every ridge regularizer. */
NRXI_FN int nrxi_net_is_ridge(const nrx_net *net)
{
    const nrxi_net_layer *l = net->layer;
    return net->layers == 4 && nrxi_net_out(net) == 3 && l[1].kind == NRXI_NET_CONV && l[1].in[0] == 0
        && l[1].stride == 1 && l[1].groups == 1
        && l[0].channels == 1 && (l[2].kind == NRXI_NET_RIDGE || l[2].kind == NRXI_NET_ACT
            || l[2].kind == NRXI_NET_SPLINE)
            && l[2].in[0] == 1
        && l[3].kind == NRXI_NET_SUM && l[3].in[0] == 2;
}

/* Sizes in floats of the ridge path's buffers; what: 0 padded image, 1 strip of profiles with margins, 2
   padded gradient, 3 packed filters (both directions), 4 values of one row block. */
NRXI_FN size_t nrxi_net_ridge_floats(const nrxi_net_conv *g, int what)
{
    size_t my = g->dil * (g->kh - 1), mx = g->dil * (g->kw - 1),
        blocks = (g->co + NRXI_NET_STRIP_C - 1) / NRXI_NET_STRIP_C;
    switch (what) {
    case 0: return g->ph * g->row + NRXI_NET_SLACK;
    case 1: return NRXI_NET_STRIP_C * (NRXI_NET_STRIP + 2 * my) * (g->ow + 2 * mx) + NRXI_NET_SLACK;
    case 2: return g->ph * g->pw + NRXI_NET_SLACK;
    case 3: return 2 * blocks * NRXI_NET_STRIP_C * g->kh * g->kw * 4 + NRXI_NET_SLACK;
    default: return NRXI_NET_STRIP_C * NRXI_NET_STRIP * g->ow + NRXI_NET_SLACK;
    }
}

NRXI_FN nrx_status nrxi_net_regularizer_measure(const nrx_net *net, size_t h, size_t w, nrxi_net_conv *g,
    size_t *bytes, const char *who)
{
    size_t i;
    nrx_net_plan_desc d;
    nrx_net_plan p;
    void *arrays;
    nrx_status s;
    if (!net || h == 0 || w == 0) return nrxi_fail(net ? &net->env : NULL, NRX_E_ARG, "%s: %s", who,
        net ? "height or width is 0" : "net is NULL");
    if (net->status != NRX_OK) return nrxi_fail(&net->env, net->status,
        "%s: a builder of this network failed before", who);
    *bytes = nrxi_net_round64(sizeof(nrxi_net_regularizer));
    if (nrxi_net_is_ridge(net)) {
        if (!nrxi_net_conv_setup(g, net->layer + 1, 1, 1, net->layer[1].channels, h, w))
            return nrxi_fail(&net->env, NRX_E_SHAPE, "%s: filters of %zux%zu do not fit a %zux%zu image",
                who, net->layer[1].kh, net->layer[1].kw, h, w);
        for (i = 0; i < 5; i++) *bytes += nrxi_net_round64(nrxi_net_ridge_floats(g, (int)i) * 4);
        *bytes += nrxi_net_round64((net->count + 1) * 4)
            + nrxi_net_round64(2 * NRXI_NET_STRIP_C * g->kh * g->kw * sizeof(size_t));
        return NRX_OK;
    }
    memset(&d, 0, sizeof d);
    d.height = h; d.width = w; d.mode = NRX_NET_GRADIENT;
    s = nrxi_net_plan_measure(net, &d, &p, &arrays, who);
    i = s == NRX_OK ? nrxi_net_plan_bytes(&p) : 0;
    nrxi_free(&p.env, arrays);
    if (s != NRX_OK) return s;
    *bytes += nrxi_net_round64(i) + nrxi_net_round64(net->layer[0].channels * h * w * 4);
    return NRX_OK;
}

NRX_DEF size_t nrx_net_functional_size(const nrx_net *net, size_t height, size_t width)
{
    nrxi_net_conv g;
    size_t bytes;
    return nrxi_net_regularizer_measure(net, height, width, &g, &bytes, "nrx_net_functional_size") == NRX_OK
        ? bytes : 0;
}

/* Filters and their flipped counterparts, packed by blocks of channels once. */
NRXI_FN void nrxi_net_ridge_pack(nrxi_net_regularizer *r)
{
    const nrxi_net_conv *g = &r->conv;
    const nrx_net *net = r->net;
    size_t area = g->kh * g->kw, my = g->dil * (g->kh - 1), mx = g->dil * (g->kw - 1), t, c, b, ky, kx;
    size_t blocks = (g->co + NRXI_NET_STRIP_C - 1) / NRXI_NET_STRIP_C, strip_w = g->ow + 2 * mx,
        strip_h = NRXI_NET_STRIP + 2 * my;
    const float *w = r->weff + net->param[net->layer[1].param[0]].offset;
    float *forward = r->packed, *back = r->packed + blocks * NRXI_NET_STRIP_C * area * 4;
    for (ky = 0, t = 0; ky < g->kh; ky++)
        for (kx = 0; kx < g->kw; kx++, t++) r->off[t] = ky * g->dil * g->row + kx * g->dil;
    for (c = 0, t = 0; c < NRXI_NET_STRIP_C; c++)
        for (ky = 0; ky < g->kh; ky++)
            for (kx = 0; kx < g->kw; kx++, t++) r->back[t] = (c * strip_h + my - ky * g->dil) * strip_w
                + mx - kx * g->dil;
    memset(r->packed, 0, nrxi_net_ridge_floats(g, 3) * 4);
    for (b = 0; b < blocks * NRXI_NET_STRIP_C / 4; b++)
        for (t = 0; t < area; t++)
            for (c = 0; c < 4; c++)
                if (4 * b + c < g->co) {
                    forward[(b * area + t) * 4 + c] = w[(4 * b + c) * area + t];
                    back[((4 * b + c) * area + t) * 4] = w[(4 * b + c) * area + t];
                }
}

/* Value and gradient strip by strip: profiles of NRXI_NET_STRIP_C channels on NRXI_NET_STRIP rows at a
   time. */
NRXI_FN void nrxi_net_ridge_run(nrxi_net_regularizer *r, const float *x, double *value, float *grad)
{
    const nrxi_net_conv *g = &r->conv;
    const nrx_net *net = r->net;
    nrx_net_plan p; /* only to reach the profile's parameters */
    size_t area = g->kh * g->kw, my = g->dil * (g->kh - 1), mx = g->dil * (g->kw - 1),
        strip_w = g->ow + 2 * mx,
        strip_h = NRXI_NET_STRIP + 2 * my;
    size_t blocks = (g->co + NRXI_NET_STRIP_C - 1) / NRXI_NET_STRIP_C, b, r0, row, c, k, rows, channels;
    const float *bias = net->layer[1].param[1] >= 0 ? net->theta + net->param[net->layer[1].param[1]].offset
        : NULL;
    double total = 0;
    memset(&p, 0, sizeof p);
    p.net = net;
    p.weff = r->weff;
    nrxi_net_pad_image(g, x, r->padded);
    if (r->scale != 1) for (k = 0; k < g->ph * g->row; k++) r->padded[k] *= (float)r->scale;
    memset(r->padded + g->ph * g->row, 0, NRXI_NET_SLACK * sizeof(float));
    if (grad) memset(r->grad, 0, nrxi_net_ridge_floats(g, 2) * sizeof(float));
    for (r0 = 0; r0 < g->oh; r0 += NRXI_NET_STRIP)
        for (b = 0; b < blocks; b++) {
            rows = g->oh - r0 < NRXI_NET_STRIP ? g->oh - r0 : NRXI_NET_STRIP;
            channels = g->co - b * NRXI_NET_STRIP_C < NRXI_NET_STRIP_C ? g->co - b * NRXI_NET_STRIP_C
                : NRXI_NET_STRIP_C;
            if (grad) memset(r->strip, 0, nrxi_net_ridge_floats(g, 1) * sizeof(float));
            for (c = 0; c < channels; c += 4)
                for (row = 0; row < rows; row++) {
                    float *out[4], start[4] = {0, 0, 0, 0};
                    size_t count = channels - c < 4 ? channels - c : 4;
                    for (k = 0; k < 4; k++) {
                        out[k] = r->value + ((c + (k < count ? k : 0)) * NRXI_NET_STRIP + row) * g->ow;
                        if (bias && k < count) start[k] = bias[b * NRXI_NET_STRIP_C + c + k];
                    }
                    nrxi_net_tap4(area, r->off, r->packed + (b * NRXI_NET_STRIP_C + c) / 4 * area * 4,
                        r->padded + (r0 + row) * g->row, g->ow, out, count, start);
                }
            for (c = 0; c < channels; c++)
                for (row = 0; row < rows; row++)
                    for (k = 0; k < g->ow; k += NRXI_NET_ACT_CHUNK) {
                        size_t m = g->ow - k < NRXI_NET_ACT_CHUNK ? g->ow - k : NRXI_NET_ACT_CHUNK, j;
                        float z[NRXI_NET_ACT_CHUNK];
                        nrxi_net_pointwise(&p, net->layer + 2, b * NRXI_NET_STRIP_C + c, m,
                            r->value + (c * NRXI_NET_STRIP + row) * g->ow + k, NULL, value ? z : NULL, grad
                                ? r->strip + (c * strip_h + my + row) * strip_w + mx + k : NULL, NULL);
                        if (value) { double sum = 0; for (j = 0; j < m; j++) sum += (double)z[j];
                            total += sum; }
                    }
            if (!grad) continue;
            for (row = 0; row < rows + my; row++) {
                float *out = r->grad + (r0 + row) * g->pw;
                nrxi_net_tap4(channels * area, r->back, r->packed + blocks * NRXI_NET_STRIP_C * area * 4
                    + b * NRXI_NET_STRIP_C * area * 4, r->strip + row * strip_w, g->pw, &out, 1, NULL);
            }
        }
    if (value) *value = total;
    if (grad) {
        memset(grad, 0, g->h * g->w * sizeof(float));
        nrxi_net_unpad_add(g, r->grad, grad);
    }
}

NRXI_FN nrx_status nrxi_net_regularizer_eval(void *user, const void *x, double *value, void *grad)
{
    nrxi_net_regularizer *r = (nrxi_net_regularizer *)user;
    const float *in = (const float *)x;
    float *g = (float *)grad;
    size_t i;
    double v = 0;
    if (!x) return nrxi_fail(&r->env, NRX_E_ARG, "nrx_net_functional: eval: x is NULL");
    if (r->scale != 1 && r->plan) { for (i = 0; i < r->n; i++) r->x[i] = (float)r->scale * in[i]; in = r->x; }
    if (r->plan) {
        float one;
        nrx_status s = nrx_net_forward(r->plan, in, &one);
        if (s == NRX_OK && g) s = nrx_net_backward(r->plan, NULL, g, NULL);
        if (s != NRX_OK) return s;
        v = (double)one;
    } else nrxi_net_ridge_run(r, in, &v, g);
    if (!nrxi_finite_f64(&v)) return nrxi_fail(&r->env, NRX_E_NUMERIC,
        "nrx_net_functional: eval: the value is not finite");
    if (g && r->weight != r->scale) { float f = (float)(r->weight / r->scale);
        for (i = 0; i < r->n; i++) g[i] *= f; }
    if (value) *value = r->weight / (r->scale * r->scale) * v;
    return NRX_OK;
}

NRXI_FN void nrxi_net_functional_constants(nrx_functional *f)
{
    const nrxi_net_regularizer *r = (const nrxi_net_regularizer *)f->user;
    f->convexity = r->proof.convexity;
    f->lip = nrxi_net_is_infinite(r->proof.lip_gradient) ? 0 : r->weight * r->proof.lip_gradient;
    f->mu = r->weight * r->proof.mu;
    f->rho = r->proof.convexity ? r->weight * r->proof.rho : 0;
}

NRX_DEF nrx_status nrx_net_functional(const nrx_net *net, size_t height, size_t width,
    const nrx_net_functional_desc *desc, nrx_functional *functional)
{
    nrx_net_functional_desc d = NRX_ZERO;
    nrxi_net_regularizer *r;
    nrxi_net_conv g;
    nrx_status s;
    nrx_net_report proof;
    size_t bytes = 0;
    unsigned char *at;
    if (desc) d = *desc;
    if (!functional) return nrxi_fail(&d.env, NRX_E_ARG, "nrx_net_functional: functional is NULL");
    memset(functional, 0, sizeof *functional);
    s = nrxi_net_regularizer_measure(net, height, width, &g, &bytes, "nrx_net_functional");
    if (s != NRX_OK) return s;
    if (!d.env.alloc) { d.env.alloc = net->env.alloc; d.env.alloc_user = net->env.alloc_user; }
    if (!d.env.log) { d.env.log = net->env.log; d.env.log_user = net->env.log_user; }
    if (!d.env.parallel_for) { d.env.parallel_for = net->env.parallel_for;
        d.env.parallel_user = net->env.parallel_user; }
    if (d.weight == 0) d.weight = net->user_weight > 0 ? net->user_weight : 1;
    if (d.scale == 0) d.scale = net->user_scale > 0 ? net->user_scale : 1;
    if (!(d.weight > 0) || !(d.scale > 0)) return nrxi_fail(&d.env, NRX_E_ARG,
        "nrx_net_functional: weight %g and scale %g must be positive", d.weight, d.scale);
    s = nrx_net_certify(net, height, width, &proof);
    if (s != NRX_OK) return s;
    if (d.memory && (d.memory_size < bytes || ((uintptr_t)d.memory & 63u) != 0))
        return nrxi_fail(&d.env, NRX_E_ARG,
            "nrx_net_functional: memory of %zu bytes, needs %zu aligned to 64", d.memory_size, bytes);
    at = (unsigned char *)(d.memory ? d.memory : nrxi_alloc(&d.env, bytes, 1));
    if (!at) return nrxi_fail(&d.env, NRX_E_NOMEM, "nrx_net_functional: no memory for %zu bytes", bytes);
    r = (nrxi_net_regularizer *)(void *)at;
    at += nrxi_net_round64(sizeof *r);
    memset(r, 0, sizeof *r);
    r->env = d.env; r->net = net; r->owned = d.memory == NULL;
    r->height = height; r->width = width; r->n = net->layer[0].channels * height * width;
    r->weight = d.weight; r->scale = d.scale; r->proof = proof;
    if (nrxi_net_is_ridge(net)) {
        nrx_net_plan p;
        r->conv = g;
        r->padded = (float *)(void *)at; at += nrxi_net_round64(nrxi_net_ridge_floats(&g, 0) * 4);
        r->strip = (float *)(void *)at;  at += nrxi_net_round64(nrxi_net_ridge_floats(&g, 1) * 4);
        r->grad = (float *)(void *)at;   at += nrxi_net_round64(nrxi_net_ridge_floats(&g, 2) * 4);
        r->packed = (float *)(void *)at; at += nrxi_net_round64(nrxi_net_ridge_floats(&g, 3) * 4);
        r->value = (float *)(void *)at;  at += nrxi_net_round64(nrxi_net_ridge_floats(&g, 4) * 4);
        r->weff = (float *)(void *)at;   at += nrxi_net_round64((net->count + 1) * 4);
        r->off = (size_t *)(void *)at;
        r->back = r->off + NRXI_NET_STRIP_C * g.kh * g.kw;
        memcpy(r->weff, net->theta, net->count * sizeof(float));
        memset(&p, 0, sizeof p);
        p.net = net;
        p.weff = r->weff;
        nrxi_net_refresh(&p);
        nrxi_net_ridge_pack(r);
    } else {
        nrx_net_plan_desc pd;
        memset(&pd, 0, sizeof pd);
        pd.height = height; pd.width = width; pd.mode = NRX_NET_GRADIENT; pd.env = d.env;
        r->x = (float *)(void *)at;
        at += nrxi_net_round64(r->n * 4);
        pd.memory = at;
        pd.memory_size = nrx_net_plan_size(net, &pd);
        s = nrx_net_plan_create(net, &pd, &r->plan);
        if (s == NRX_OK && r->plan->map[r->plan->output].size != 1)
            s = nrxi_fail(&d.env, NRX_E_SHAPE,
                "nrx_net_functional: the network has %zu outputs, a functional has one",
                    r->plan->map[r->plan->output].size);
        if (s != NRX_OK) { if (r->owned) nrxi_free(&d.env, r); return s; }
    }
    functional->eval = nrxi_net_regularizer_eval;
    functional->user = r;
    functional->n = r->n;
    functional->dtype = NRX_F32;
    nrxi_net_functional_constants(functional);
    return NRX_OK;
}

NRX_DEF void nrx_net_functional_free(nrx_functional *functional)
{
    nrxi_net_regularizer *r = functional ? (nrxi_net_regularizer *)functional->user : NULL;
    if (r) {
        nrx_env env = r->env;
        if (r->owned) nrxi_free(&env, r);
        memset(functional, 0, sizeof *functional);
    }
}

NRX_DEF nrx_status nrx_net_functional_rescale(nrx_functional *functional, double weight, double scale)
{
    nrxi_net_regularizer *r = functional ? (nrxi_net_regularizer *)functional->user : NULL;
    if (!r || !(weight > 0) || !(scale > 0)) return nrxi_fail(r ? &r->env : NULL, NRX_E_ARG,
        "nrx_net_functional_rescale: weight %g, scale %g", weight, scale);
    r->weight = weight;
    r->scale = scale;
    nrxi_net_functional_constants(functional);
    return NRX_OK;
}

/* ---- ready-made networks ---- */

/* Gives the finished graph, or frees it and returns the builder's error. */
NRXI_FN nrx_status nrxi_net_done(nrx_net *net, int output, const char *arch, nrx_net **result)
{
    nrx_status s = net->status;
    if (s != NRX_OK || output < 0) { nrx_net_free(net); return s != NRX_OK ? s : NRX_E_ARG; }
    net->output = output;
    nrxi_net_name(net->arch, sizeof net->arch, arch, "", 0);
    *result = net;
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_net_ridge_net(const nrx_net_crr_desc *desc, double rho, const char *arch,
    nrx_net **net)
{
    nrx_net_crr_desc d = NRX_ZERO;
    nrx_net_desc nd = NRX_ZERO;
    nrx_net_conv_desc cd = NRX_ZERO;
    nrx_net *n;
    nrx_status s;
    int x;
    if (desc) d = *desc;
    if (!net) return nrxi_fail(&d.env, NRX_E_ARG, "nrx_net_%s: net is NULL", arch);
    *net = NULL;
    nd.seed = d.seed;
    nd.env = d.env;
    s = nrx_net_create(&nd, &n);
    if (s != NRX_OK) return s;
    if (d.sigma < 0) { nrx_net_free(n); return nrxi_fail(&d.env, NRX_E_ARG,
        "nrx_net_%s: sigma %g is negative", arch, d.sigma); }
    cd.channels = d.filters ? d.filters : 24;
    cd.kernel = d.kernel ? d.kernel : 5;
    cd.padding = d.padding;
    cd.no_bias = 1;
    cd.weights = NRX_NET_W_ZERO_MEAN;
    cd.init = -0.2;
    cd.name = "filters";
    x = nrx_net_conv2d(n, 0, &cd);
    x = nrx_net_ridge(n, x, rho, log(0.3 / (d.sigma > 0 ? d.sigma : 0.05)), 1.5, -3.0, 20.0 / 3.0, "profile");
    return nrxi_net_done(n, nrx_net_sum(n, x), arch, net);
}

NRX_DEF nrx_status nrx_net_crr(const nrx_net_crr_desc *desc, nrx_net **net) { return nrxi_net_ridge_net(desc,
    0, "crr", net); }
NRX_DEF nrx_status nrx_net_wcrr(const nrx_net_crr_desc *desc, nrx_net **net) {
    return nrxi_net_ridge_net(desc, 1, "wcrr", net); }

/* The ICNN of a descriptor reading node x; parameter names start with `prefix`. */
NRXI_FN int nrxi_net_icnn_nodes(nrx_net *n, int x, const nrx_net_icnn_desc *desc, const char *prefix)
{
    nrx_net_icnn_desc d = *desc;
    nrx_net_conv_desc v = NRX_ZERO, w = NRX_ZERO;
    size_t i;
    int z, smooth = x;
    char name[40], base[32];
    if (d.layers == 0) d.layers = 5;
    if (d.channels == 0) d.channels = 16;
    if (d.activation == 0) d.activation = NRX_NET_LEAKY_RELU;
    if (d.layers > 1000) return NRXI_NET_BUILD_FAIL(n, NRX_E_RANGE, "nrx_net_icnn: %zu layers", d.layers);
    v.kernel = w.kernel = d.kernel ? d.kernel : 5;
    v.padding = w.padding = d.padding;
    v.name = w.name = name;
    if (d.smooth_channels) { /* x -> SiLU(conv x): convex after smooth is weakly convex */
        nrxi_net_join(name, sizeof name, prefix, "smooth", 0);
        v.channels = d.smooth_channels;
        v.weights = d.zero_mean ? NRX_NET_W_ZERO_MEAN : NRX_NET_W_FREE;
        smooth = nrx_net_activation(n, nrx_net_conv2d(n, x, &v), NRX_NET_SILU, 0, 0);
    }
    v.channels = w.channels = d.channels;
    v.weights = d.zero_mean && !d.smooth_channels ? NRX_NET_W_ZERO_MEAN : NRX_NET_W_FREE;
    w.weights = d.unconstrained ? NRX_NET_W_FREE : NRX_NET_W_NONNEGATIVE;
    w.no_bias = 1;
    w.init = d.init > 0 ? d.init : 2.0 / ((double)d.channels * (double)(w.kernel * w.kernel));
    nrxi_net_join(name, sizeof name, prefix, "wx0", 0);
    z = nrx_net_activation(n, nrx_net_conv2d(n, smooth, &v), d.activation, d.activation_a, 0);
    for (i = 1; i < d.layers; i++) {
        int a, b;
        nrxi_net_join(name, sizeof name, prefix, "wx", i);
        b = nrx_net_conv2d(n, smooth, &v);
        nrxi_net_join(name, sizeof name, prefix, "wz", i);
        a = nrx_net_conv2d(n, z, &w);
        z = nrx_net_activation(n, nrx_net_add(n, a, b, 1, 1), d.activation, d.activation_a, 0);
    }
    w.channels = 1;
    nrxi_net_join(name, sizeof name, prefix, "final", 0);
    z = nrx_net_conv2d(n, z, &w);
    z = d.sum ? nrx_net_sum(n, z) : nrx_net_mean(n, z);
    if (d.quadratic > 0) {
        nrxi_net_join(base, sizeof base, prefix, "quadratic", 0);
        z = nrx_net_add(n, z, nrx_net_scale_learned(n, nrx_net_sqnorm(n, x), 0, NRX_NET_W_SOFTPLUS,
            d.quadratic, 1, base), 1, 1);
    }
    if (d.filter_bank) { /* softplus(p) * sum_i |U_i x|_1 */
        int sum = -1, u;
        nrx_net_conv_desc b = NRX_ZERO;
        b.channels = 32; b.kernel = 7; b.no_bias = 1; b.padding = d.padding; b.name = name;
        for (i = 0; i < d.filter_bank; i++) {
            nrxi_net_join(name, sizeof name, prefix, "sfb", i + 1);
            u = nrx_net_l1norm(n, nrx_net_conv2d(n, x, &b));
            sum = sum < 0 ? u : nrx_net_add(n, sum, u, 1, 1);
        }
        nrxi_net_join(base, sizeof base, prefix, "sfb_weight", 0);
        z = nrx_net_add(n, z, nrx_net_scale_learned(n, sum, 0, NRX_NET_W_SOFTPLUS, 6.1e-6, 1, base), 1, 1);
    }
    return z;
}

NRX_DEF nrx_status nrx_net_icnn(const nrx_net_icnn_desc *desc, nrx_net **net)
{
    nrx_net_icnn_desc d = NRX_ZERO;
    nrx_net_desc nd = NRX_ZERO;
    nrx_net *n;
    nrx_status s;
    if (desc) d = *desc;
    if (!net) return nrxi_fail(&d.env, NRX_E_ARG, "nrx_net_icnn: net is NULL");
    *net = NULL;
    nd.channels = d.inputs; nd.seed = d.seed; nd.env = d.env;
    s = nrx_net_create(&nd, &n);
    if (s != NRX_OK) return s;
    return nrxi_net_done(n, nrxi_net_icnn_nodes(n, 0, &d, ""), d.smooth_channels ? "iwcnn" : "icnn", net);
}

NRX_DEF nrx_status nrx_net_iwcnn(const nrx_net_icnn_desc *desc, nrx_net **net)
{
    nrx_net_icnn_desc d = NRX_ZERO;
    if (desc) d = *desc;
    if (d.smooth_channels == 0) d.smooth_channels = 8;
    return nrx_net_icnn(&d, net);
}

/* ---- training ---- */

NRXI_FN double nrxi_net_norm(size_t n, const float *x)
{
    double s = 0;
    size_t i;
    for (i = 0; i < n; i++) s += (double)x[i] * (double)x[i];
    return sqrt(s);
}

/* One image of the batch as a random patch, flipped at random. */
NRXI_FN void nrxi_net_draw_patch(const nrx_net_data *data, nrx_rng *rng, size_t h, size_t w, float *to)
{
    size_t image = (size_t)nrx_rng_below(rng, data->count), y = (size_t)nrx_rng_below(rng, data->height - h
        + 1),
        x = (size_t)nrx_rng_below(rng, data->width - w + 1), r, c;
    uint32_t flip = nrx_rng_u32(rng);
    const float *from = data->images + image * data->height * data->width;
    for (r = 0; r < h; r++)
        for (c = 0; c < w; c++)
            to[r * w + c] = from[(y + (flip & 1u ? h - 1 - r : r)) * data->width + x + (flip & 2u ? w - 1 - c
                : c)];
}

/* Adam with a rate per parameter block; m and v stand behind each other in state. */
NRXI_FN void nrxi_net_adam(nrx_net *net, float *state, size_t step, double rate, double beta1, double beta2)
{
    size_t i, k;
    double c1 = 1 - pow(beta1, (double)step), c2 = 1 - pow(beta2, (double)step);
    float b1 = (float)beta1, b2 = (float)beta2, *m = state, *v = state + net->count;
    for (i = 0; i < net->params; i++) {
        const nrxi_net_param *q = net->param + i;
        float lr = (float)(rate * q->rate / c1), is = (float)(1 / sqrt(c2));
        if (q->frozen) continue;
        for (k = q->offset; k < q->offset + q->rows * q->cols; k++) {
            float g = net->grad[k];
            m[k] = b1 * m[k] + (1 - b1) * g;
            v[k] = b2 * v[k] + (1 - b2) * g * g;
            net->theta[k] -= lr * m[k] / (sqrtf(v[k]) * is + 1e-8f);
        }
    }
}

typedef struct nrxi_net_trainer {
    nrx_net *net;
    nrx_net_train_desc d;
    nrx_net_plan *plan;
    float  *x, *y, *g, *e, *adam;   /* clean, noisy, prediction or gradient, residual */
    float  *best;                   /* weights of the best validation */
    /* batch; numbers per sample of input, of clean image, of input without noise map */
    size_t  n, in, out, image;
    double  sigma;                  /* of this step */
    double  loss, ratio;
} nrxi_net_trainer;

NRXI_FN nrx_status nrxi_net_train_draw(nrxi_net_trainer *t, const nrx_net_data *data, size_t stream)
{
    nrx_rng rng;
    size_t i, k;
    nrx_status s;
    nrx_rng_seed(&rng, t->d.seed, stream);
    t->sigma = t->d.sigma_min + (t->d.sigma_max - t->d.sigma_min) * nrx_rng_uniform(&rng);
    if (data->pairs) return data->pairs(data->user, &rng, t->n, t->x, t->y);
    if (data->draw) { s = data->draw(data->user, &rng, t->n, t->x); if (s != NRX_OK) return s; }
    else for (i = 0; i < t->n; i++) nrxi_net_draw_patch(data, &rng, t->d.height, t->d.width,
        t->x + i * t->out);
    for (i = 0; i < t->n; i++) {
        float *y = t->y + i * t->in;
        if (t->d.noise_map && i)
            t->sigma = t->d.sigma_min + (t->d.sigma_max - t->d.sigma_min) * nrx_rng_uniform(&rng);
        for (k = 0; k < t->image; k++) y[k] = t->x[i * t->out + k] + (float)(t->sigma * nrx_rng_normal(&rng));
        for (; k < t->in; k++) y[k] = (float)t->sigma;
    }
    return NRX_OK;
}

/* Loss of the residual e = prediction - clean, and its gradient, written over e. */
NRXI_FN void nrxi_net_train_residual(nrxi_net_trainer *t)
{
    size_t i, k;
    double unit = 1.0 / ((double)t->n * (double)t->out), total = 0, noise = 0, err = 0;
    for (i = 0; i < t->n; i++) {
        float *e = t->e + i * t->out;
        double s = 0, f;
        for (k = 0; k < t->out; k++) s += (double)e[k] * (double)e[k];
        err += s;
        for (k = 0; t->image == t->out && k < t->out; k++) {
            double d = (double)t->y[i * t->in + k] - (double)t->x[i * t->out + k];
            noise += d * d;
        }
        switch (t->d.loss) {
        case NRX_NET_LOSS_L1:
            for (k = 0; k < t->out; k++) {
                total += fabs((double)e[k]) * unit;
                e[k] = e[k] > 0 ? (float)unit : e[k] < 0 ? -(float)unit : 0.0f;
            }
            break;
        case NRX_NET_LOSS_PROXIMAL: /* 1 - exp(-d^2/gamma^2), d the root mean square error of the sample */
            s /= (double)t->out;
            f = exp(-s / (t->d.gamma * t->d.gamma));
            total += (1 - f) / (double)t->n;
            f *= 2 * unit / (t->d.gamma * t->d.gamma);
            for (k = 0; k < t->out; k++) e[k] *= (float)f;
            break;
        default:
            total += s * unit;
            for (k = 0; k < t->out; k++) e[k] *= (float)(2 * unit);
            break;
        }
    }
    t->loss = total;
    t->ratio = noise > 0 ? err / noise : err * unit;
}

/* Loss at the drawn batch, its gradient added to the network's. */
NRXI_FN nrx_status nrxi_net_train_predict(nrxi_net_trainer *t)
{
    size_t i, k;
    int kind = t->d.predict;
    float step = kind == NRX_NET_PREDICT_STEP && !t->d.noise_map ? (float)(t->sigma / t->d.sigma_max) : 1.0f;
    nrx_status s = nrx_net_forward(t->plan, t->y, kind == NRX_NET_PREDICT_OUTPUT ? t->e : NULL);
    step *= step;
    if (s == NRX_OK && kind != NRX_NET_PREDICT_OUTPUT) s = nrx_net_backward(t->plan, NULL, t->g, NULL);
    if (s != NRX_OK) return s;
    for (i = 0; i < t->n; i++)
        for (k = 0; k < t->out; k++) {
            float *e = t->e + i * t->out + k, g = t->g[i * t->in + (kind == NRX_NET_PREDICT_OUTPUT ? 0 : k)];
            float x = t->x[i * t->out + k];
            if (kind == NRX_NET_PREDICT_STEP) *e = t->y[i * t->in + k] - step * g - x;
            else if (kind == NRX_NET_PREDICT_GRADIENT) *e = g - x;
            else *e -= x;
        }
    nrxi_net_train_residual(t);
    if (kind == NRX_NET_PREDICT_OUTPUT) return nrx_net_backward(t->plan, t->e, NULL, t->net->grad);
    if (kind == NRX_NET_PREDICT_GRADIENT) step = -1;
    for (i = 0; i < t->n; i++) {
        for (k = 0; k < t->out; k++) t->g[i * t->in + k] = -step * t->e[i * t->out + k];
        for (; k < t->in; k++) t->g[i * t->in + k] = 0;
    }
    s = nrx_net_tangent(t->plan, t->g, NULL);
    return s == NRX_OK ? nrx_net_backward_tangent(t->plan, NULL, NULL, NULL, NULL, t->net->grad) : s;
}

/* Critic: mean R(clean) - mean R(noisy) + penalty * mean of max(|grad R| - 1, 0)^2 (or (|grad R| - 1)^2)
   between the two. */
NRXI_FN nrx_status nrxi_net_train_critic(nrxi_net_trainer *t, size_t stream)
{
    nrx_rng rng;
    size_t i, k;
    double penalty = 0, gap = 0;
    int active = 0;
    nrx_status s = nrx_net_forward(t->plan, t->x, t->e);
    for (i = 0; i < t->n; i++) { gap += (double)t->e[i] / (double)t->n; t->e[i] = 1.0f / (float)t->n; }
    if (s == NRX_OK) s = nrx_net_backward(t->plan, t->e, NULL, t->net->grad);
    if (s == NRX_OK) s = nrx_net_forward(t->plan, t->y, t->e);
    if (s != NRX_OK) return s;
    for (i = 0; i < t->n; i++) { gap -= (double)t->e[i] / (double)t->n; t->e[i] = -1.0f / (float)t->n; }
    s = nrx_net_backward(t->plan, t->e, NULL, t->net->grad);
    if (s != NRX_OK) return s;
    nrx_rng_seed(&rng, t->d.seed ^ 0x6770u, stream);
    for (i = 0; i < t->n; i++) {
        float u = (float)nrx_rng_uniform(&rng);
        for (k = 0; k < t->in; k++) t->e[i * t->in + k] = u * t->x[i * t->in + k] + (1 - u) * t->y[i * t->in
            + k];
    }
    s = nrx_net_forward(t->plan, t->e, NULL);
    if (s == NRX_OK) s = nrx_net_backward(t->plan, NULL, t->g, NULL);
    if (s != NRX_OK) return s;
    for (i = 0; i < t->n; i++) {
        float *g = t->g + i * t->in, f;
        double norm = 0, over;
        for (k = 0; k < t->in; k++) norm += (double)g[k] * (double)g[k];
        norm = sqrt(norm);
        over = norm - 1;
        if (over < 0 && !t->d.two_sided) over = 0;
        penalty += over * over / (double)t->n;
        f = norm > 1e-12 ? (float)(2 * t->d.penalty * over / (norm * (double)t->n)) : 0.0f;
        active |= f != 0;
        for (k = 0; k < t->in; k++) g[k] *= f;
    }
    t->loss = gap + t->d.penalty * penalty;
    t->ratio = gap;
    if (!active) return NRX_OK;
    s = nrx_net_tangent(t->plan, t->g, NULL);
    return s == NRX_OK ? nrx_net_backward_tangent(t->plan, NULL, NULL, NULL, NULL, t->net->grad) : s;
}

NRXI_FN nrx_status nrxi_net_train_defaults(nrx_net *net, const nrx_net_train_desc *desc,
    nrx_net_train_desc *d)
{
    const nrx_net_data *data = &desc->data;
    *d = *desc;
    if (!d->env.alloc) { d->env.alloc = net->env.alloc; d->env.alloc_user = net->env.alloc_user; }
    if (!d->env.log) { d->env.log = net->env.log; d->env.log_user = net->env.log_user; }
    if (!d->env.parallel_for) { d->env.parallel_for = net->env.parallel_for;
        d->env.parallel_user = net->env.parallel_user; }
    if (d->batch == 0) d->batch = 4;
    if (d->steps == 0) d->steps = 3000;
    if (d->rate == 0) d->rate = 3e-3;
    if (d->beta1 == 0) d->beta1 = 0.9;
    if (d->beta2 == 0) d->beta2 = 0.99;
    if (d->last_rate == 0) d->last_rate = 0.2;
    if (d->sigma_max == 0) d->sigma_max = 0.05;
    if (d->sigma_min == 0) d->sigma_min = d->sigma_max;
    if (d->penalty == 0) d->penalty = 10;
    if (d->gamma == 0) d->gamma = 0.1;
    if (d->height == 0 && data->images) d->height = data->height < 48 ? data->height : 48;
    if (d->width == 0 && data->images) d->width = data->width < 48 ? data->width : 48;
    if (d->sigma_max < 0 || d->sigma_min < 0 || d->sigma_min > d->sigma_max)
        return nrxi_fail(&d->env, NRX_E_ARG, "nrx_net_train: noise from %g to %g", d->sigma_min,
            d->sigma_max);
    if (d->height == 0 || d->width == 0) return nrxi_fail(&d->env, NRX_E_ARG,
        "nrx_net_train: patch of %zux%zu", d->height, d->width);
    if (d->validate_every && !d->validate && !d->validation)
        return nrxi_fail(&d->env, NRX_E_ARG, "nrx_net_train: validate_every needs validation data or validate");
    if (d->validation && !d->validation->draw && !d->validation->pairs && (!d->validation->images
        || d->validation->count == 0 || d->height > d->validation->height || d->width > d->validation->width))
        return nrxi_fail(&d->env, NRX_E_ARG,
            "nrx_net_train: validation: needs draw, pairs, or images at least %zux%zu", d->height, d->width);
    if (!data->draw && !data->pairs) {
        if (!data->images || data->count == 0 || d->height > data->height || d->width > data->width
            || net->layer[0].channels != (d->noise_map ? 2u : 1u))
            return nrxi_fail(&d->env, NRX_E_ARG,
                "nrx_net_train: data: needs draw, pairs, or images of one channel at least %zux%zu",
                    d->height, d->width);
        if (!nrxi_all_finite(data->images, data->count * data->height * data->width, NRX_F32))
            return nrxi_fail(&d->env, NRX_E_NUMERIC, "nrx_net_train: data: an image is not finite");
    }
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_net_train_loss(nrxi_net_trainer *t, const nrx_net_data *data, size_t stream)
{
    nrx_status s = nrxi_net_train_draw(t, data, stream);
    if (s == NRX_OK) s = t->d.loss == NRX_NET_LOSS_CRITIC ? nrxi_net_train_critic(t, stream)
        : nrxi_net_train_predict(t);
    return s;
}

/* The value of one validation; smaller is better. */
NRXI_FN nrx_status nrxi_net_train_validate(nrxi_net_trainer *t, double *value)
{
    size_t i;
    nrx_status s = NRX_OK;
    *value = 0;
    if (t->d.validate) { *value = t->d.validate(t->d.validate_user, t->net); return NRX_OK; }
    /* the same draws each time, from streams that training never uses */
    for (i = 0; s == NRX_OK && i < 8; i++) {
        s = nrxi_net_train_loss(t, t->d.validation, ((size_t)-1 >> 1) + i);
        *value += t->loss / 8;
    }
    return s;
}

/* Scales the gradient down to norm `most`. */
NRXI_FN void nrxi_net_clip(nrx_net *net, double most)
{
    double norm = nrxi_net_norm(net->count, net->grad);
    size_t k;
    if (most > 0 && norm > most) for (k = 0; k < net->count; k++) net->grad[k] *= (float)(most / norm);
}

/* Buffers and checks; the caller frees what is there whatever comes back. */
NRXI_FN nrx_status nrxi_net_train_begin(nrxi_net_trainer *t, int pair, const size_t *shape)
{
    size_t room;
    t->in = nrxi_net_sample(t->plan, 0);
    t->image = t->in - (t->d.noise_map ? t->d.height * t->d.width : 0);
    t->out = pair ? t->image : shape[1] * shape[2] * shape[3];
    if (t->d.noise_map && t->plan->map[0].c < 2)
        return nrxi_fail(&t->d.env, NRX_E_SHAPE, "nrx_net_train: noise_map needs a second input channel");
    if (pair && shape[1] * shape[2] * shape[3] != 1)
        return nrxi_fail(&t->d.env, NRX_E_SHAPE,
            "nrx_net_train: this loss needs a network with one output per sample, not %zu",
                shape[1] * shape[2] * shape[3]);
    if (!t->d.data.pairs && t->out != t->image)
        return nrxi_fail(&t->d.env, NRX_E_SHAPE,
            "nrx_net_train: output and input differ in size: data must come from pairs");
    room = t->in > t->out ? t->in : t->out;
    t->x = (float *)nrxi_alloc(&t->d.env, 4 * t->n * room, sizeof(float));
    t->adam = t->d.state ? t->d.state : (float *)nrxi_calloc(&t->d.env, 2 * t->net->count + 1, sizeof(float));
    if (t->d.validate_every) t->best = (float *)nrxi_alloc(&t->d.env, t->net->count, sizeof(float));
    if (!t->x || !t->adam || (t->d.validate_every && !t->best))
        return nrxi_fail(&t->d.env, NRX_E_NOMEM, "nrx_net_train: no memory for batches of %zu", t->n);
    t->y = t->x + t->n * room;
    t->g = t->y + t->n * room;
    t->e = t->g + t->n * room;
    return NRX_OK;
}

NRX_DEF nrx_status nrx_net_train(nrx_net *net, const nrx_net_train_desc *desc, nrx_net_train_info *info)
{
    nrxi_net_trainer t;
    nrx_net_plan_desc pd;
    nrx_net_train_info local;
    nrx_status s;
    size_t step, shape[4], missed = 0;
    double mean = 0, weight = 0, value;
    if (!info) info = &local;
    memset(info, 0, sizeof *info);
    if (!net || !desc) return nrxi_fail(net ? &net->env : NULL, NRX_E_ARG, "nrx_net_train: %s is NULL",
        net ? "desc" : "net");
    memset(&t, 0, sizeof t);
    s = nrxi_net_train_defaults(net, desc, &t.d);
    if (s != NRX_OK) return s;
    t.net = net;
    t.n = t.d.batch;
    memset(&pd, 0, sizeof pd);
    pd.n = t.n; pd.height = t.d.height; pd.width = t.d.width; pd.env = t.d.env;
    pd.mode = t.d.predict == NRX_NET_PREDICT_OUTPUT && t.d.loss != NRX_NET_LOSS_CRITIC ? NRX_NET_GRADIENT
        : NRX_NET_PAIR;
    s = nrx_net_plan_create(net, &pd, &t.plan);
    if (s != NRX_OK) return s;
    nrx_net_plan_output_shape(t.plan, shape);
    s = nrxi_net_train_begin(&t, pd.mode == NRX_NET_PAIR, shape);
    info->best = HUGE_VAL;
    for (step = t.d.first_step; s == NRX_OK && step < t.d.steps; step++) {
        double rate = t.d.rate * (step >= t.d.steps - t.d.steps / 4 ? t.d.last_rate : 1);
        nrx_net_zero_grad(net);
        s = nrxi_net_train_loss(&t, &t.d.data, step + 1);
        if (s != NRX_OK) break;
        if (!nrxi_finite_f64(&t.loss)) {
            s = nrxi_fail(&t.d.env, NRX_E_NUMERIC,
                "nrx_net_train: the loss is not finite at step %zu; weights are those before it", step);
            break;
        }
        nrxi_net_clip(net, t.d.clip);
        nrxi_net_adam(net, t.adam, step + 1, rate, t.d.beta1, t.d.beta2);
        nrx_net_project(net);
        if (step == t.d.first_step) info->first_loss = t.loss;
        info->steps = step + 1;
        mean = 0.98 * mean + 0.02 * t.ratio;
        weight = 0.98 * weight + 0.02;
        info->loss = t.loss;
        info->ratio = mean / weight;
        if (t.d.validate_every && ((step + 1) % t.d.validate_every == 0 || step + 1 == t.d.steps)) {
            s = nrxi_net_train_validate(&t, &value);
            if (s == NRX_OK && value < info->best) {
                info->best = value;
                info->best_step = step + 1;
                memcpy(t.best, net->theta, net->count * sizeof *t.best);
                missed = 0;
            } else if (++missed == t.d.patience) info->early = 1;
        }
        if (s == NRX_OK && t.d.after_step) s = t.d.after_step(t.d.after_user, net, step + 1);
        if (s == NRX_OK && nrxi_progress(&t.d.env, step + 1, t.d.steps, info->ratio)) s = NRX_E_CANCELLED;
        if (info->early) break;
    }
    if (info->best_step && !t.d.keep_last) memcpy(net->theta, t.best, net->count * sizeof *t.best);
    if (!t.d.state) nrxi_free(&t.d.env, t.adam);
    nrxi_free(&t.d.env, t.best);
    nrxi_free(&t.d.env, t.x);
    nrx_net_plan_free(t.plan);
    return s;
}

NRX_DEF nrx_status nrx_net_train_scores(nrx_net *net, const float *images, size_t count, size_t height,
    size_t width, const nrx_net_train_desc *desc, nrx_net_train_info *info)
{
    nrx_net_train_desc d = NRX_ZERO;
    if (desc) d = *desc;
    d.loss = NRX_NET_LOSS_L2;
    d.predict = NRX_NET_PREDICT_STEP;
    if (images) { d.data.images = images; d.data.count = count; d.data.height = height; d.data.width = width;
        }
    return nrx_net_train(net, &d, info);
}

/* ---- more ready-made networks ---- */

NRXI_FN int nrxi_net_conv_plain(nrx_net *n, int in, size_t channels, size_t kernel, size_t stride,
    int padding, int bias, const char *name)
{
    nrx_net_conv_desc d = NRX_ZERO;
    d.channels = channels;
    d.kernel = kernel;
    d.stride = stride;
    d.padding = padding;
    d.no_bias = !bias;
    d.name = name;
    return nrx_net_conv2d(n, in, &d);
}

/* Multiplies the initial weights of a node. */
NRXI_FN void nrxi_net_damp(nrx_net *n, int node, double factor)
{
    size_t k;
    const nrxi_net_param *q;
    if (node < 0 || factor == 0 || n->layer[node].param[0] < 0) return;
    q = n->param + n->layer[node].param[0];
    for (k = 0; k < q->rows * q->cols; k++) n->theta[q->offset + k] *= (float)factor;
}

NRXI_FN int nrxi_net_normed(nrx_net *n, int x, int norm)
{
    return norm == 1 ? nrx_net_group_norm(n, x, 1, 0, NULL) : norm == 2 ? nrx_net_batch_norm(n, x, 0, NULL)
        : x;
}

NRXI_FN int nrxi_net_conv_block(nrx_net *n, int x, size_t channels, const nrx_net_cnn_desc *d)
{
    size_t i;
    for (i = 0; i < d->layers; i++) x = nrx_net_activation(n, nrxi_net_normed(n, nrxi_net_conv_plain(n, x,
        channels, 3, 1, d->padding, 1, NULL), d->norm), d->activation, 0, 0);
    return x;
}

NRXI_FN nrx_net_cnn_desc nrxi_net_cnn_defaults(const nrx_net_cnn_desc *desc, size_t channels, size_t layers,
    size_t scales, size_t blocks, int activation)
{
    nrx_net_cnn_desc d = NRX_ZERO;
    if (desc) d = *desc;
    if (d.outputs == 0) d.outputs = 1;
    if (d.inputs == 0) d.inputs = d.outputs + (d.noise_map ? 1 : 0);
    if (d.channels == 0) d.channels = channels;
    if (d.layers == 0) d.layers = layers;
    if (d.scales == 0) d.scales = scales;
    if (d.blocks == 0) d.blocks = blocks;
    if (d.activation == 0) d.activation = activation;
    return d;
}

NRXI_FN nrx_status nrxi_net_cnn_begin(const nrx_net_cnn_desc *d, const char *who, nrx_net **result,
    nrx_net **n)
{
    nrx_net_desc nd = NRX_ZERO;
    if (!result) return nrxi_fail(&d->env, NRX_E_ARG, "%s: net is NULL", who);
    *result = NULL;
    if (d->layers > 1000 || d->scales > 12 || d->blocks > 100
        || d->channels > 65536) return nrxi_fail(&d->env, NRX_E_RANGE,
            "%s: %zu layers, %zu scales, %zu blocks", who, d->layers, d->scales, d->blocks);
    nd.channels = d->inputs;
    nd.seed = d->seed;
    nd.env = d->env;
    return nrx_net_create(&nd, n);
}

/* U-Net from node x: the node before any residual. */
NRXI_FN int nrxi_net_unet_nodes(nrx_net *n, int x, const nrx_net_cnn_desc *d)
{
    int skip[12] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}, last;
    size_t s;
    for (s = 0; s < d->scales; s++) {
        x = nrxi_net_conv_block(n, x, d->channels << s, d);
        skip[s] = x;
        if (s + 1 < d->scales) x = nrx_net_max_pool(n, x, 2);
    }
    for (s = d->scales - 1; s-- > 0;) {
        nrx_net_conv_desc u = NRX_ZERO;
        u.channels = d->channels << s;
        u.kernel = 2;
        u.stride = 2;
        u.padding = NRX_NET_PAD_VALID;
        x = nrx_net_conv_transpose2d(n, x, &u);
        x = nrxi_net_conv_block(n, nrx_net_concat(n, skip[s], x), d->channels << s, d);
    }
    last = nrxi_net_conv_plain(n, x, d->outputs, 1, 1, d->padding, 1, NULL);
    nrxi_net_damp(n, last, d->init_scale);
    return last;
}

NRX_DEF nrx_status nrx_net_unet(const nrx_net_cnn_desc *desc, nrx_net **net)
{
    nrx_net_cnn_desc d = nrxi_net_cnn_defaults(desc, 16, 2, 3, 1, NRX_NET_RELU);
    nrx_net *n;
    nrx_status s = nrxi_net_cnn_begin(&d, "nrx_net_unet", net, &n);
    int x;
    if (s != NRX_OK) return s;
    x = nrxi_net_unet_nodes(n, 0, &d);
    if (d.residual >= 0 && d.inputs >= d.outputs) x = nrx_net_add(n, d.inputs == d.outputs ? 0
        : nrx_net_slice(n, 0, 0, d.outputs), x, 1, 1);
    return nrxi_net_done(n, x, "unet", net);
}

NRX_DEF nrx_status nrx_net_dncnn(const nrx_net_cnn_desc *desc, nrx_net **net)
{
    nrx_net_cnn_desc d = nrxi_net_cnn_defaults(desc, 64, 17, 1, 1, NRX_NET_RELU);
    nrx_net *n;
    nrx_status s = nrxi_net_cnn_begin(&d, "nrx_net_dncnn", net, &n);
    size_t i;
    int x = 0, last;
    if (s != NRX_OK) return s;
    for (i = 0; i + 1 < d.layers; i++) {
        x = nrxi_net_conv_plain(n, x, d.channels, 3, 1, d.padding, 1, NULL);
        x = nrx_net_activation(n, i ? nrxi_net_normed(n, x, d.norm) : x, d.activation, 0, 0);
    }
    last = nrxi_net_conv_plain(n, x, d.outputs, 3, 1, d.padding, 1, NULL);
    nrxi_net_damp(n, last, d.init_scale);
    return nrxi_net_done(n, nrx_net_add(n, d.inputs == d.outputs ? 0 : nrx_net_slice(n, 0, 0, d.outputs),
        last, 1, -1), "dncnn", net);
}

/* x + conv(act(conv(x))) */
NRXI_FN int nrxi_net_res_block(nrx_net *n, int x, size_t channels, const nrx_net_cnn_desc *d)
{
    int y = nrx_net_activation(n, nrxi_net_conv_plain(n, x, channels, 3, 1, d->padding, 0, NULL),
        d->activation, 0, 0),
        z = nrxi_net_conv_plain(n, y, channels, 3, 1, d->padding, 0, NULL);
    return nrx_net_add(n, x, z, 1, 1);
}

NRXI_FN int nrxi_net_drunet_nodes(nrx_net *n, int x, const nrx_net_cnn_desc *d)
{
    int skip[12] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}, last;
    size_t s, b;
    nrx_net_conv_desc c = NRX_ZERO;
    c.kernel = 2; c.stride = 2; c.padding = NRX_NET_PAD_VALID; c.no_bias = 1;
    x = nrxi_net_conv_plain(n, x, d->channels, 3, 1, d->padding, 0, NULL);
    for (s = 0; s < d->scales; s++) {
        for (b = 0; b < d->blocks; b++) x = nrxi_net_res_block(n, x, d->channels << s, d);
        skip[s] = x;
        c.channels = d->channels << (s + 1);
        if (s + 1 < d->scales) x = nrx_net_conv2d(n, x, &c);
    }
    for (s = d->scales - 1; s-- > 0;) {
        c.channels = d->channels << s;
        x = nrx_net_add(n, nrx_net_conv_transpose2d(n, x, &c), skip[s], 1, 1);
        for (b = 0; b < d->blocks; b++) x = nrxi_net_res_block(n, x, d->channels << s, d);
    }
    last = nrxi_net_conv_plain(n, x, d->outputs, 3, 1, d->padding, 0, NULL);
    nrxi_net_damp(n, last, d->init_scale);
    return last;
}

NRX_DEF nrx_status nrx_net_drunet(const nrx_net_cnn_desc *desc, nrx_net **net)
{
    nrx_net_cnn_desc d = nrxi_net_cnn_defaults(desc, 16, 1, 3, 2, NRX_NET_ELU);
    nrx_net *n;
    nrx_status s = nrxi_net_cnn_begin(&d, "nrx_net_drunet", net, &n);
    if (s != NRX_OK) return s;
    return nrxi_net_done(n, nrxi_net_drunet_nodes(n, 0, &d), "drunet", net);
}

NRX_DEF nrx_status nrx_net_gradient_step(const nrx_net_cnn_desc *desc, nrx_net **net)
{
    nrx_net_cnn_desc d = nrxi_net_cnn_defaults(desc, 16, 1, 3, 2, NRX_NET_ELU);
    nrx_net *n;
    nrx_status s = nrxi_net_cnn_begin(&d, "nrx_net_gradient_step", net, &n);
    int x;
    if (s != NRX_OK) return s;
    x = nrxi_net_drunet_nodes(n, 0, &d);
    x = nrx_net_sqnorm(n, nrx_net_add(n, d.inputs == d.outputs ? 0 : nrx_net_slice(n, 0, 0, d.outputs), x, 1,
        -1));
    return nrxi_net_done(n, nrx_net_scale(n, x, 0.5), "gradient_step", net);
}

NRX_DEF nrx_status nrx_net_nett(const nrx_net_cnn_desc *desc, nrx_net **net)
{
    nrx_net_cnn_desc d = nrxi_net_cnn_defaults(desc, 32, 6, 1, 1, NRX_NET_CELU);
    nrx_net *n;
    nrx_status s = nrxi_net_cnn_begin(&d, "nrx_net_nett", net, &n);
    size_t i;
    int x = 0;
    if (s != NRX_OK) return s;
    for (i = 0; i + 1 < d.layers; i++) x = nrx_net_activation(n, nrxi_net_conv_plain(n, x, d.channels, 3, 1,
        d.padding, 1, NULL), d.activation, d.activation == NRX_NET_CELU ? 10 : 0, 0);
    return nrxi_net_done(n, nrx_net_sqnorm(n, nrxi_net_conv_plain(n, x, d.outputs, 3, 1, d.padding, 1,
        NULL)), "nett", net);
}

NRX_DEF nrx_status nrx_net_ar(const nrx_net_cnn_desc *desc, nrx_net **net)
{
    nrx_net_cnn_desc d = nrxi_net_cnn_defaults(desc, 16, 6, 1, 1, NRX_NET_LEAKY_RELU);
    nrx_net_dense_desc e = NRX_ZERO;
    nrx_net *n;
    nrx_status s = nrxi_net_cnn_begin(&d, "nrx_net_ar", net, &n);
    size_t i, c = d.channels;
    int x = 0;
    if (s != NRX_OK) return s;
    for (i = 0; i < d.layers; i++) {
        size_t stride = i >= 2 && i % 2 == 0 ? 2 : 1;
        if (i % 2 && c < 8 * d.channels) c *= 2;
        x = nrx_net_activation(n, nrxi_net_conv_plain(n, x, c, 5, stride, d.padding, 1, NULL), d.activation,
            0.1, 0);
    }
    e.features = 4 * d.channels;
    x = nrx_net_activation(n, nrx_net_dense(n, nrx_net_spatial_mean(n, x), &e), d.activation, 0.1, 0);
    e.features = 1;
    return nrxi_net_done(n, nrx_net_dense(n, x, &e), "ar", net);
}

NRX_DEF nrx_status nrx_net_lar(const nrx_net_cnn_desc *desc, nrx_net **net)
{
    nrx_net_cnn_desc d = nrxi_net_cnn_defaults(desc, 32, 7, 1, 1, NRX_NET_SILU);
    nrx_net *n;
    nrx_status s = nrxi_net_cnn_begin(&d, "nrx_net_lar", net, &n);
    nrx_net_conv_desc c = NRX_ZERO;
    size_t i;
    int x = 0;
    if (s != NRX_OK) return s;
    c.channels = d.channels;
    c.kernel = 3;
    c.padding = NRX_NET_PAD_REPLICATE; /* the first layer reaches over the border for all of them */
    c.pad = d.layers - 1;
    for (i = 0; i < d.layers; i++) {
        if (i + 1 == d.layers) c.channels = 1;
        x = nrx_net_conv2d(n, x, &c);
        if (i + 1 < d.layers) x = nrx_net_activation(n, x, d.activation, 0, 0);
        c.padding = NRX_NET_PAD_VALID;
        c.pad = 0;
    }
    return nrxi_net_done(n, nrx_net_mean(n, x), "lar", net);
}

NRX_DEF nrx_status nrx_net_tdv(const nrx_net_cnn_desc *desc, nrx_net **net)
{
    nrx_net_cnn_desc d = nrxi_net_cnn_defaults(desc, 16, 1, 3, 2, NRX_NET_SOFTPLUS0);
    nrx_net *n;
    nrx_net_conv_desc k = NRX_ZERO;
    nrx_status s = nrxi_net_cnn_begin(&d, "nrx_net_tdv", net, &n);
    int x, skip[12] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    size_t b, i;
    if (s != NRX_OK) return s;
    k.channels = d.channels; k.no_bias = 1; k.weights = NRX_NET_W_ZERO_MEAN; k.padding = d.padding;
        k.name = "K";
    x = nrx_net_conv2d(n, 0, &k);
    for (b = 0; b < d.blocks; b++) {
        for (i = 0; i < d.scales; i++) {
            x = nrxi_net_res_block(n, x, d.channels, &d);
            skip[i] = x;
            if (i + 1 == d.scales) break;
            x = nrxi_net_conv_plain(n, x, d.channels, 3, 2, d.padding, 0, NULL);
            if (b) x = nrx_net_add(n, skip[i + 1], x, 1, 1); /* features of all scales pass from block to block */
        }
        for (i = d.scales - 1; i-- > 0;) {
            nrx_net_conv_desc u = NRX_ZERO;
            u.channels = d.channels; u.stride = 2; u.pad = 1; u.output_padding = 1; u.no_bias = 1;
            x = nrxi_net_res_block(n, nrx_net_add(n, nrx_net_conv_transpose2d(n, x, &u), skip[i], 1, 1),
                d.channels, &d);
            skip[i] = x;
        }
    }
    x = nrx_net_sqnorm(n, nrxi_net_conv_plain(n, x, 1, 1, 1, d.padding, 0, "w"));
    return nrxi_net_done(n, nrx_net_scale(n, x, 0.5 / (double)d.channels), "tdv", net);
}

NRX_DEF nrx_status nrx_net_idcnn(const nrx_net_icnn_desc *desc, nrx_net **net)
{
    nrx_net_icnn_desc d = NRX_ZERO;
    nrx_net_desc nd = NRX_ZERO;
    nrx_net *n;
    nrx_status s;
    int a, b;
    if (desc) d = *desc;
    if (!net) return nrxi_fail(&d.env, NRX_E_ARG, "nrx_net_idcnn: net is NULL");
    *net = NULL;
    nd.channels = d.inputs; nd.seed = d.seed; nd.env = d.env;
    if (d.activation == 0) d.activation = NRX_NET_ELU;
    s = nrx_net_create(&nd, &n);
    if (s != NRX_OK) return s;
    a = nrxi_net_icnn_nodes(n, 0, &d, "a_");
    b = nrxi_net_icnn_nodes(n, 0, &d, "b_");
    return nrxi_net_done(n, nrx_net_add(n, a, b, 1, -1), "idcnn", net);
}

NRX_DEF nrx_status nrx_net_lpn(const nrx_net_lpn_desc *desc, nrx_net **net)
{
    nrx_net_lpn_desc d = NRX_ZERO;
    nrx_net_desc nd = NRX_ZERO;
    nrx_net_dense_desc v = NRX_ZERO, w = NRX_ZERO;
    nrx_net *n;
    nrx_status s;
    size_t i;
    int z;
    if (desc) d = *desc;
    if (!net) return nrxi_fail(&d.env, NRX_E_ARG, "nrx_net_lpn: net is NULL");
    *net = NULL;
    if (d.inputs == 0) d.inputs = 1;
    if (d.features == 0) d.features = 64;
    if (d.layers == 0) d.layers = 2;
    if (d.beta == 0) d.beta = 10;
    if (d.strong == 0) d.strong = 1e-6;
    if (d.layers > 1000 || d.beta < 0 || d.strong < 0) return nrxi_fail(&d.env, NRX_E_ARG,
        "nrx_net_lpn: %zu layers, beta %g, strong %g", d.layers, d.beta, d.strong);
    nd.channels = d.inputs; nd.seed = d.seed; nd.env = d.env;
    s = nrx_net_create(&nd, &n);
    if (s != NRX_OK) return s;
    v.features = w.features = d.features;
    v.init = -1;
    w.weights = NRX_NET_W_NONNEGATIVE;
    w.no_bias = 1;
    w.init = 2.0 / (double)d.features;
    z = nrx_net_activation(n, nrx_net_dense(n, 0, &v), NRX_NET_SOFTPLUS, d.beta, 0);
    for (i = 1; i < d.layers; i++) {
        int a = nrx_net_dense(n, z, &w), b = nrx_net_dense(n, 0, &v);
        z = nrx_net_activation(n, nrx_net_add(n, a, b, 1, 1), NRX_NET_SOFTPLUS, d.beta, 0);
    }
    w.features = 1;
    z = nrx_net_sum(n, nrx_net_dense(n, z, &w));
    return nrxi_net_done(n, nrx_net_add(n, z, nrx_net_sqnorm(n, 0), 1, 0.5 * d.strong), "lpn", net);
}

NRX_DEF nrx_status nrx_net_lpn_prior(const nrx_net *net, size_t count, const float *x, double tolerance,
    size_t max_iterations, double *prior)
{
    nrx_net_plan_desc pd;
    nrx_net_plan *p;
    nrx_status s;
    size_t i, k, it, n;
    float *y, *g, *t, value;
    if (!net || !x || !prior) return nrxi_fail(net ? &net->env : NULL, NRX_E_ARG,
        "nrx_net_lpn_prior: an argument is NULL");
    if (max_iterations == 0) max_iterations = 2000;
    if (tolerance <= 0) tolerance = 1e-5;
    memset(&pd, 0, sizeof pd);
    pd.mode = NRX_NET_GRADIENT;
    s = nrx_net_plan_create(net, &pd, &p);
    if (s != NRX_OK) return s;
    n = p->map[0].size;
    y = (float *)nrxi_alloc(&net->env, 3 * n, sizeof *y);
    if (!y) { nrx_net_plan_free(p); return nrxi_fail(&net->env, NRX_E_NOMEM, "nrx_net_lpn_prior: no memory");
        }
    g = y + n;
    t = g + n;
    for (i = 0; s == NRX_OK && i < count; i++) {
        const float *xi = x + i * n;
        double step = 1, dot, half, f0 = 0, r0 = 0;
        memcpy(y, xi, n * sizeof *y);
        for (it = 0; s == NRX_OK && it <= max_iterations; it++) {
            /* gradient descent on psi(y) - <x,y>, step doubled and halved */
            s = nrx_net_forward(p, y, &value);
            if (s == NRX_OK) s = nrx_net_backward(p, NULL, g, NULL);
            for (k = 0, r0 = 0, dot = 0; k < n; k++) { double r = (double)g[k] - (double)xi[k]; r0 += r * r;
                    dot += (double)xi[k] * (double)y[k]; }
            f0 = (double)value - dot;
            if (s != NRX_OK || sqrt(r0) <= tolerance || it == max_iterations) break;
            for (step *= 2; step > 1e-9; step *= 0.5) {
                for (k = 0, dot = 0; k < n; k++) { t[k] = (float)((double)y[k] - step * ((double)g[k]
                    - (double)xi[k])); dot += (double)xi[k] * (double)t[k]; }
                s = nrx_net_forward(p, t, &value);
                if (s != NRX_OK || (double)value - dot <= f0 - 0.4 * step * r0 + 1e-7 * fabs(f0)) break;
            }
            memcpy(y, t, n * sizeof *y);
        }
        for (k = 0, dot = 0, half = 0; k < n; k++) { dot += (double)y[k] * (double)xi[k];
                half += 0.5 * (double)xi[k] * (double)xi[k];
            }
        prior[i] = dot - half - (f0 + dot);
    }
    nrxi_free(&net->env, y);
    nrx_net_plan_free(p);
    return s;
}

NRXI_FN nrx_status nrxi_net_unrolled_begin(const nrx_net_unrolled_desc *desc, nrx_net_unrolled_desc *d,
    const char *who, nrx_net **result, nrx_net **n)
{
    nrx_net_desc nd = NRX_ZERO;
    if (!desc || !result || !desc->op) return nrxi_fail(desc ? &desc->env : NULL, NRX_E_ARG,
        "%s: %s is NULL", who, !desc ? "desc" : !result ? "net" : "op");
    *result = NULL;
    *d = *desc;
    if (d->iterations == 0) d->iterations = 5;
    if (d->channels == 0) d->channels = 16;
    if (d->memory == 0) d->memory = 5;
    if (d->scale == 0 && d->op->norm > 0) d->scale = 1.0 / d->op->norm;
    if (d->iterations > 1000 || !(d->scale > 0)) return nrxi_fail(&d->env, NRX_E_ARG,
        "%s: %zu iterations, scale %g (0 needs the operator's norm)", who, d->iterations, d->scale);
    nd.seed = d->seed;
    nd.env = d->env;
    return nrx_net_create(&nd, n);
}

/* conv-ReLU-conv-ReLU-conv, the last one small at first. */
NRXI_FN int nrxi_net_update_nodes(nrx_net *n, int x, size_t channels, size_t out)
{
    int last;
    x = nrx_net_activation(n, nrxi_net_conv_plain(n, x, channels, 3, 1, 0, 1, NULL), NRX_NET_LEAKY_RELU, 0.1,
        0);
    x = nrx_net_activation(n, nrxi_net_conv_plain(n, x, channels, 3, 1, 0, 1, NULL), NRX_NET_LEAKY_RELU, 0.1,
        0);
    last = nrxi_net_conv_plain(n, x, out, 3, 1, 0, 1, NULL);
    nrxi_net_damp(n, last, 0.2);
    return last;
}

NRX_DEF nrx_status nrx_net_lpd(const nrx_net_unrolled_desc *desc, nrx_net **net)
{
    nrx_net_unrolled_desc d;
    nrx_net *n = NULL;
    nrx_status s = nrxi_net_unrolled_begin(desc, &d, "nrx_net_lpd", net, &n);
    int y, x, h, f;
    size_t i;
    if (s != NRX_OK) return s;
    y = nrx_net_scale(n, 0, d.scale); /* data of the operator of norm one */
    f = d.inverse ? nrx_net_operator(n, 0, d.inverse, 0, d.height, d.width, 1)
        : nrx_net_operator(n, y, d.op, 1, d.height, d.width, d.scale);
    x = nrxi_net_conv_plain(n, f, d.memory, 1, 1, 0, 0, NULL);
    h = nrxi_net_conv_plain(n, y, d.memory, 1, 1, 0, 0, NULL);
    nrxi_net_damp(n, h, 0.1);
    if (x >= 0) for (i = 0; i < d.memory; i++) n->theta[n->param[n->layer[x].param[0]].offset + i] = 1.0f;
    for (i = 0; i < d.iterations; i++) {
        int ax = nrx_net_operator(n, nrx_net_slice(n, x, d.memory > 1 ? 1 : 0, 1), d.op, 0, d.data_height,
            d.data_width, d.scale), ah;
        h = nrx_net_add(n, h, nrxi_net_update_nodes(n, nrx_net_concat(n, h, nrx_net_concat(n, ax, y)),
            d.channels, d.memory), 1, 1);
        ah = nrx_net_operator(n, nrx_net_slice(n, h, 0, 1), d.op, 1, d.height, d.width, d.scale);
        x = nrx_net_add(n, x, nrxi_net_update_nodes(n, nrx_net_concat(n, x, ah), d.channels, d.memory), 1, 1);
    }
    return nrxi_net_done(n, nrx_net_slice(n, x, 0, 1), "lpd", net);
}

NRX_DEF nrx_status nrx_net_learned_gradient(const nrx_net_unrolled_desc *desc, nrx_net **net)
{
    nrx_net_unrolled_desc d;
    nrx_net *n = NULL;
    nrx_status s = nrxi_net_unrolled_begin(desc, &d, "nrx_net_learned_gradient", net, &n);
    int y, f, m = -1, u;
    size_t i;
    if (s != NRX_OK) return s;
    y = nrx_net_scale(n, 0, d.scale);
    f = d.inverse ? nrx_net_operator(n, 0, d.inverse, 0, d.height, d.width, 1)
        : nrx_net_operator(n, y, d.op, 1, d.height, d.width, d.scale);
    for (i = 0; i < d.iterations; i++) {
        int r = nrx_net_add(n, nrx_net_operator(n, f, d.op, 0, d.data_height, d.data_width, d.scale), y, 1,
            -1);
        int g = nrx_net_operator(n, r, d.op, 1, d.height, d.width, d.scale), in = nrx_net_concat(n, f, g);
        if (m >= 0) in = nrx_net_concat(n, in, m);
        u = nrxi_net_update_nodes(n, in, d.channels, d.memory + 1);
        f = nrx_net_add(n, f, nrx_net_slice(n, u, d.memory, 1), 1, 1);
        m = nrx_net_activation(n, nrx_net_slice(n, u, 0, d.memory), NRX_NET_RELU, 0, 0);
    }
    return nrxi_net_done(n, f, "learned_gradient", net);
}

NRX_DEF nrx_status nrx_net_itnet(const nrx_net_unrolled_desc *desc, const nrx_net_cnn_desc *unet,
    nrx_net **net)
{
    nrx_net_unrolled_desc d;
    nrx_net_cnn_desc u = nrxi_net_cnn_defaults(unet, 8, 2, 3, 1, NRX_NET_RELU);
    nrx_net *n = NULL;
    nrx_status s = nrxi_net_unrolled_begin(desc, &d, "nrx_net_itnet", net, &n);
    size_t i;
    int x;
    if (s != NRX_OK) return s;
    if (!d.inverse) { nrx_net_free(n); return nrxi_fail(&d.env, NRX_E_ARG,
        "nrx_net_itnet: needs an inverse"); }
    x = nrx_net_operator(n, 0, d.inverse, 0, d.height, d.width, 1);
    if (u.init_scale == 0) u.init_scale = 0.1;
    for (i = 0; i < (desc->iterations ? d.iterations : 4); i++) {
        int r, z = nrx_net_add(n, x, nrxi_net_unet_nodes(n, x, &u), 1, 1);
        r = nrx_net_add(n, nrx_net_operator(n, z, d.op, 0, d.data_height, d.data_width, 1), 0, 1, -1);
        r = nrx_net_scale_learned(n, nrx_net_operator(n, r, d.inverse, 0, d.height, d.width, 1), 0,
            NRX_NET_W_FREE, 1, 1, NULL);
        x = nrx_net_add(n, z, r, 1, -1);
    }
    return nrxi_net_done(n, x, "itnet", net);
}

NRX_DEF nrx_status nrx_net_lista(const nrx_net_unrolled_desc *desc, double threshold, nrx_net **net)
{
    nrx_net_unrolled_desc d;
    nrx_net *n = NULL;
    nrx_status s = nrxi_net_unrolled_begin(desc, &d, "nrx_net_lista", net, &n);
    float filters[5 * 5 * 64];
    double one = 1, norm2 = 1;
    int y, z = -1, x = -1;
    size_t i, c, k;
    if (s != NRX_OK) return s;
    if (d.channels > 64 || !(threshold > 0)) {
        nrx_net_free(n);
        return nrxi_fail(&d.env, NRX_E_ARG, "nrx_net_lista: %zu filters (at most 64), threshold %g",
            d.channels, threshold);
    }
    for (k = 0; k < sizeof filters / sizeof filters[0]; k++) filters[k] = (float)nrx_rng_normal(&n->rng);
    s = nrxi_net_kernel_norm2(&d.env, filters, &one, 1, d.channels, 5, 5, &norm2);
    for (k = 0; k < 25 * d.channels; k++) filters[k] /= (float)sqrt(norm2);
    y = nrx_net_scale(n, 0, d.scale);
    for (i = 0; i <= d.iterations; i++) {
        int r = y, e, up, down;
        if (z >= 0) {
            x = nrxi_net_conv_plain(n, z, 1, 5, 1, 0, 0, NULL);
            if (x >= 0) memcpy(n->theta + n->param[n->layer[x].param[0]].offset, filters,
                25 * d.channels * sizeof *filters);
            if (i == d.iterations) break;
            r = nrx_net_add(n, y, nrx_net_operator(n, x, d.op, 0, d.data_height, d.data_width, d.scale), 1,
                -1);
        }
        e = nrxi_net_conv_plain(n, nrx_net_operator(n, r, d.op, 1, d.height, d.width, d.scale), d.channels,
            5, 1, 0, 0, NULL);
        for (c = 0; e >= 0 && c < d.channels; c++) for (k = 0; k < 25; k++)
            n->theta[n->param[n->layer[e].param[0]].offset + c * 25 + k] = filters[c * 25 + 24 - k];
        if (z >= 0) e = nrx_net_add(n, z, e, 1, 1);
        up = nrx_net_bias(n, e, NULL); /* soft(t) = relu(t - threshold) - relu(-t - threshold) */
        down = nrx_net_bias(n, nrx_net_scale(n, e, -1), NULL);
        if (down < 0) break;
        for (c = 0; c < d.channels; c++) {
            n->theta[n->param[n->layer[up].param[0]].offset + c] = -(float)threshold;
            n->theta[n->param[n->layer[down].param[0]].offset + c] = -(float)threshold;
        }
        z = nrx_net_add(n, nrx_net_activation(n, up, NRX_NET_RELU, 0, 0), nrx_net_activation(n, down,
            NRX_NET_RELU, 0, 0), 1, -1);
    }
    if (s != NRX_OK) { nrx_net_free(n); return s; }
    return nrxi_net_done(n, x, "lista", net);
}

NRX_DEF nrx_status nrx_net_acncr(const nrx_net_unrolled_desc *op, const nrx_net_icnn_desc *data,
    const nrx_net_icnn_desc *image, nrx_net **net)
{
    nrx_net_unrolled_desc d;
    nrx_net_icnn_desc da = NRX_ZERO, di = NRX_ZERO;
    nrx_net *n = NULL;
    nrx_status s = nrxi_net_unrolled_begin(op, &d, "nrx_net_acncr", net, &n);
    int a, b;
    if (s != NRX_OK) return s;
    if (data) da = *data;
    if (image) di = *image;
    if (da.smooth_channels == 0) da.smooth_channels = 8;
    if (da.channels == 0) da.channels = 8;
    a = nrxi_net_icnn_nodes(n, nrx_net_operator(n, 0, d.op, 0, d.data_height, d.data_width, d.scale), &da,
        "data_");
    b = nrxi_net_icnn_nodes(n, 0, &di, "image_");
    return nrxi_net_done(n, nrx_net_add(n, a, b, 0.5, 0.5), "acncr", net);
}

/* ---- reconstruction ---- */

/* A functional that passes everything on and lets the caller's measure see each point. */
typedef struct nrxi_net_watch { const nrx_functional *f; const nrx_net_recon_desc *d; double best; size_t n;
    } nrxi_net_watch;

NRXI_FN void nrxi_net_watch_point(nrxi_net_watch *w, const float *x)
{
    double m;
    if (!w->d->measure) return;
    m = w->d->measure(w->d->measure_user, x);
    if (!(m > w->best)) return;
    w->best = m;
    if (w->d->best) memcpy(w->d->best, x, w->n * sizeof *x);
}

NRXI_FN nrx_status nrxi_net_watch_eval(void *user, const void *x, double *value, void *grad)
{
    nrxi_net_watch *w = (nrxi_net_watch *)user;
    nrxi_net_watch_point(w, (const float *)x);
    return w->f->eval(w->f->user, x, value, grad);
}

NRXI_FN nrx_status nrxi_net_recon_check(const nrx_linop *A, const float *y, const float *x,
    const nrx_net_recon_desc *d, const char *who)
{
    if (!A || !y || !x || !A->apply || !A->adjoint) return nrxi_fail(&d->env, NRX_E_ARG, "%s: %s is NULL",
        who, !A ? "A" : !y ? "y" : !x ? "x" : "A's apply or adjoint");
    if (A->dtype != NRX_F32) return nrxi_fail(&d->env, NRX_E_ARG, "%s: A must be f32", who);
    if (!nrxi_all_finite(y, A->rows, NRX_F32) || !nrxi_all_finite(x, A->cols,
        NRX_F32)) return nrxi_fail(&d->env, NRX_E_NUMERIC, "%s: y or the start x is not finite", who);
    return NRX_OK;
}

/* |Ax - y|^2/2 + R(x) with its gradient (g may be NULL). r: rows. */
NRXI_FN nrx_status nrxi_net_energy(const nrx_linop *A, const float *y, const nrx_functional *R,
    const float *x, float *r, float *g, float *h, double *value)
{
    double v = 0, fit = 0;
    size_t i;
    nrx_status s = A->apply(A->user, x, r);
    if (s != NRX_OK) return s;
    for (i = 0; i < A->rows; i++) { r[i] -= y[i]; fit += (double)r[i] * (double)r[i]; }
    s = R->eval(R->user, x, &v, g ? h : NULL);
    if (s == NRX_OK && g) s = A->adjoint(A->user, r, g);
    if (s == NRX_OK && g) for (i = 0; i < A->cols; i++) g[i] += h[i];
    *value = 0.5 * fit + v;
    return s;
}

/* to = from - g/L, projected; returns |to - from|^2 and <g, to - from>. */
NRXI_FN double nrxi_net_descend(size_t n, const float *from, const float *g, double L, int nonnegative,
    float *to, double *slope)
{
    double d2 = 0, gd = 0;
    size_t i;
    for (i = 0; i < n; i++) {
        double v = (double)from[i] - (double)g[i] / L, d;
        if (nonnegative && v < 0) v = 0;
        to[i] = (float)v;
        d = (double)to[i] - (double)from[i];
        d2 += d * d;
        gd += d * (double)g[i];
    }
    *slope = gd;
    return d2;
}

/* Gradient, accelerated gradient with restart (Beck and Teboulle 2009; restart when the momentum points
   uphill: O'Donoghue and Candes 2015), and nmAPG (Li and Lin 2015). L starts at the certificate's bound
   (times 1/4, as bounds are rarely met) and doubles until the quadratic upper bound holds at the step
   taken. */
NRXI_FN nrx_status nrxi_net_minimise(const nrx_linop *A, const float *y, const nrx_functional *R, float *x,
    const nrx_net_recon_desc *d, nrx_solve_info *info)
{
    size_t n = A->cols, max = d->max_iter ? d->max_iter : 500, k, i, tries;
    double tol = d->tol != 0 ? d->tol : 1e-5, top, L, t = 1, fx, fz = 0, fbar = 0, c, q = 1, d2 = 0, slope;
    int method = d->method ? d->method : R->convexity == NRX_CONVEX ? NRX_SOLVE_ACCELERATED : NRX_SOLVE_NMAPG;
    float *r = (float *)nrxi_alloc(&d->env, A->rows + 7 * n, sizeof *r), *g, *h, *z, *bar, *before, *gx, *v;
    nrx_status s;
    memset(info, 0, sizeof *info);
    info->gap = -1;
    if (!r) return nrxi_fail(&d->env, NRX_E_NOMEM, "nrx_net_reconstruct: no memory");
    g = r + A->rows; h = g + n; z = h + n; bar = z + n; before = bar + n; gx = before + n; v = gx + n;
    top = A->norm > 0 && R->lip > 0 ? A->norm * A->norm + R->lip : 0;
    L = top > 0 ? 0.25 * top : A->norm > 0 ? A->norm * A->norm : 1;
    info->norm = A->norm;
    info->stop = NRX_STOP_MAX_ITER;
    s = nrxi_net_energy(A, y, R, x, r, NULL, h, &fx);
    c = fx;
    memcpy(before, x, n * sizeof *x);
    memcpy(z, x, n * sizeof *x);
    for (k = 0; s == NRX_OK && k < max; k++) {
        double move = 0, size = 0, uphill = 0, beta;
        double tn = 0.5 * (1 + sqrt(1 + 4 * t * t));
        /* bar: where the gradient is taken */
        beta = method == NRX_SOLVE_GRADIENT ? 0 : (t - 1) / tn;
        for (i = 0; i < n; i++) bar[i] = k == 0 ? x[i] : x[i] + (float)beta * (x[i] - before[i]);
        s = nrxi_net_energy(A, y, R, bar, r, g, h, &fbar);
        info->evals++;
        if (s == NRX_OK && d->gradient_tol > 0) {
            double g2 = 0;
            for (i = 0; i < n; i++) g2 += (double)g[i] * (double)g[i];
            if (sqrt(g2) <= d->gradient_tol) {
                memcpy(x, bar, n * sizeof *x);
                info->objective = fbar;
                info->residual = sqrt(g2);
                info->stop = NRX_STOP_TOL;
                break;
            }
        }
        for (tries = 0; s == NRX_OK && tries < 60; tries++) {
            d2 = nrxi_net_descend(n, bar, g, L, d->nonnegative, z, &slope);
            s = nrxi_net_energy(A, y, R, z, r, NULL, h, &fz);
            info->applies += 2;
            if (fz <= fbar + slope + 0.5 * L * d2 + 1e-6 * fabs(fbar) || (top > 0 && L >= top
                && R->convexity == NRX_CONVEX)) break;
            L *= 2;
            info->restarts++;
        }
        if (s != NRX_OK) break;
        if (!nrxi_finite_f64(&fz)) { info->stop = NRX_STOP_NUMERIC; s = nrxi_fail(&d->env, NRX_E_NUMERIC,
            "nrx_net_reconstruct: the energy is not finite; the last good iterate is returned"); break; }
        if (method == NRX_SOLVE_NMAPG && !(fz <= c - 1e-4 * L * d2)) {
            /* safeguard: a plain step from x, the better of both */
            double fv;
            s = nrxi_net_energy(A, y, R, x, r, gx, h, &fv);
            for (tries = 0; s == NRX_OK && tries < 60; tries++) {
                double from = fv, fnew;
                d2 = nrxi_net_descend(n, x, gx, L, d->nonnegative, v, &slope);
                s = nrxi_net_energy(A, y, R, v, r, NULL, h, &fnew);
                if (fnew <= from + slope + 0.5 * L * d2 + 1e-6 * fabs(from)) { if (fnew <= fz) { memcpy(z, v,
                    n * sizeof *z); fz = fnew; } break; }
                L *= 2;
            }
            info->restarts++;
            if (s != NRX_OK) break;
        }
        for (i = 0; i < n; i++) {
            double e = (double)z[i] - (double)x[i];
            move += e * e;
            size += (double)z[i] * (double)z[i];
            uphill += ((double)bar[i] - (double)z[i]) * e;
        }
        memcpy(before, x, n * sizeof *x);
        memcpy(x, z, n * sizeof *x);
        if (method == NRX_SOLVE_ACCELERATED && uphill > 0) { t = 1; info->restarts++; memcpy(before, x,
            n * sizeof *x); } else t = tn;
        c = (0.8 * q * c + fz) / (0.8 * q + 1);
        q = 0.8 * q + 1;
        fx = fz;
        /* below that, rounding hides whether the step is too long */
        if (0.5 * L * d2 > 1e-5 * fabs(fbar)) L *= 0.97;
        info->iterations = k + 1;
        info->objective = fx;
        info->step = 1 / L;
        info->residual = size > 0 ? sqrt(move / size) : 0;
        if (info->residual <= tol && !(d->gradient_tol > 0)) { info->stop = NRX_STOP_TOL; break; }
        if (nrxi_progress(&d->env, k + 1, max, fx)) { info->stop = NRX_STOP_CANCELLED; s = NRX_E_CANCELLED;
            break; }
    }
    nrxi_free(&d->env, r);
    return s;
}

NRX_DEF nrx_status nrx_net_reconstruct(const nrx_linop *A, const float *y, const nrx_functional *R, float *x,
    const nrx_net_recon_desc *desc, nrx_net_recon_info *info)
{
    nrx_net_recon_desc d = NRX_ZERO;
    nrx_net_recon_info local;
    nrx_functional watched;
    nrxi_net_watch w;
    nrx_status s;
    if (desc) d = *desc;
    if (!info) info = &local;
    memset(info, 0, sizeof *info);
    info->error_bound = -1;
    s = nrxi_net_recon_check(A, y, x, &d, "nrx_net_reconstruct");
    if (s != NRX_OK) return s;
    if (!R || !R->eval || R->n != A->cols || R->dtype != NRX_F32)
        return nrxi_fail(&d.env, NRX_E_SHAPE,
            "nrx_net_reconstruct: the functional takes %zu f32 numbers, A has %zu columns", R ? R->n : 0,
                A->cols);
    w.f = R; w.d = &d; w.best = -HUGE_VAL; w.n = R->n;
    watched = *R;
    watched.eval = nrxi_net_watch_eval;
    watched.prox = NULL;
    watched.user = &w;
    s = nrxi_net_minimise(A, y, &watched, x, &d, &info->solve);
    if (d.measure) { info->final = d.measure(d.measure_user, x); nrxi_net_watch_point(&w, x);
        info->best = w.best; }
    if (s == NRX_OK && R->mu > 0 && !d.nonnegative) { /* |grad E| / mu bounds the distance to the minimiser */
        float *r = (float *)nrxi_alloc(&d.env, A->rows + 2 * A->cols, sizeof *r), *g = r + (r ? A->rows : 0),
            *h = g + (r ? A->cols : 0);
        double sum = 0;
        size_t i;
        if (r && A->apply(A->user, x, r) == NRX_OK) {
            for (i = 0; i < A->rows; i++) r[i] -= y[i];
            if (A->adjoint(A->user, r, g) == NRX_OK && R->eval(R->user, x, NULL, h) == NRX_OK) {
                for (i = 0; i < A->cols; i++) sum += ((double)g[i] + (double)h[i]) * ((double)g[i]
                    + (double)h[i]);
                info->error_bound = sqrt(sum) / R->mu;
            }
        }
        nrxi_free(&d.env, r);
    }
    return s;
}

/* Both denoiser schemes: RED when lambda_on. */
NRXI_FN nrx_status nrxi_net_denoiser_loop(const char *who, const nrx_linop *A, const float *y,
    nrx_net_denoiser denoise, void *user, float *x, const nrx_net_recon_desc *desc, nrx_net_recon_info *info,
        int red)
{
    nrx_net_recon_desc d = NRX_ZERO;
    nrx_net_recon_info local;
    nrxi_net_watch w;
    nrx_status s;
    float *r, *g, *z;
    double step;
    size_t i, k, n, max;
    if (desc) d = *desc;
    if (!info) info = &local;
    memset(info, 0, sizeof *info);
    info->error_bound = -1;
    s = nrxi_net_recon_check(A, y, x, &d, who);
    if (s != NRX_OK) return s;
    if (!denoise) return nrxi_fail(&d.env, NRX_E_ARG, "%s: denoise is NULL", who);
    if (d.step == 0 && !(A->norm > 0)) return nrxi_fail(&d.env, NRX_E_ARG,
        "%s: step 0 needs the operator's norm", who);
    if (red && !(d.lambda > 0)) return nrxi_fail(&d.env, NRX_E_ARG, "%s: lambda %g must be positive", who,
        d.lambda);
    step = d.step > 0 ? d.step : 1.0 / (A->norm * A->norm + (red ? d.lambda : 0));
    n = A->cols;
    max = d.max_iter ? d.max_iter : 500;
    if (d.tol == 0) d.tol = 1e-5;
    r = (float *)nrxi_alloc(&d.env, A->rows + 2 * n, sizeof *r);
    if (!r) return nrxi_fail(&d.env, NRX_E_NOMEM, "%s: no memory", who);
    g = r + A->rows;
    z = g + n;
    w.f = NULL; w.d = &d; w.best = -HUGE_VAL; w.n = n;
    info->solve.stop = NRX_STOP_MAX_ITER;
    info->solve.step = step;
    info->solve.gap = -1;
    for (k = 0; k < max; k++) {
        double change = 0, size = 0;
        s = A->apply(A->user, x, r);
        for (i = 0; s == NRX_OK && i < A->rows; i++) r[i] -= y[i];
        if (s == NRX_OK) s = A->adjoint(A->user, r, g);
        if (s != NRX_OK) break;
        if (red) {
            s = denoise(user, x, z);
            for (i = 0; s == NRX_OK && i < n; i++) z[i] = x[i] - (float)step * (g[i] + (float)d.lambda
                * (x[i] - z[i]));
        } else {
            for (i = 0; i < n; i++) g[i] = x[i] - (float)step * g[i];
            s = denoise(user, g, z);
        }
        if (s != NRX_OK) break;
        for (i = 0; i < n; i++) {
            double e;
            if (d.nonnegative && z[i] < 0) z[i] = 0;
            e = (double)z[i] - (double)x[i];
            change += e * e;
            size += (double)z[i] * (double)z[i];
        }
        if (!nrxi_finite_f64(&change)) { info->solve.stop = NRX_STOP_NUMERIC; s = nrxi_fail(&d.env,
            NRX_E_NUMERIC, "%s: the iterate is not finite; the last good one is returned", who); break; }
        memcpy(x, z, n * sizeof *x);
        nrxi_net_watch_point(&w, x);
        info->solve.iterations = k + 1;
        info->solve.residual = size > 0 ? sqrt(change / size) : 0;
        if (info->solve.residual <= d.tol) { info->solve.stop = NRX_STOP_TOL; break; }
        if (nrxi_progress(&d.env, k + 1, max, info->solve.residual)) { info->solve.stop = NRX_STOP_CANCELLED;
            s = NRX_E_CANCELLED; break; }
    }
    if (d.measure) { info->final = d.measure(d.measure_user, x); info->best = w.best > info->final ? w.best
        : info->final; }
    nrxi_free(&d.env, r);
    return s;
}

NRX_DEF nrx_status nrx_net_pnp(const nrx_linop *A, const float *y, nrx_net_denoiser denoise, void *user,
    float *x, const nrx_net_recon_desc *desc, nrx_net_recon_info *info)
{
    return nrxi_net_denoiser_loop("nrx_net_pnp", A, y, denoise, user, x, desc, info, 0);
}

NRX_DEF nrx_status nrx_net_red(const nrx_linop *A, const float *y, nrx_net_denoiser denoise, void *user,
    float *x, const nrx_net_recon_desc *desc, nrx_net_recon_info *info)
{
    return nrxi_net_denoiser_loop("nrx_net_red", A, y, denoise, user, x, desc, info, 1);
}

NRX_DEF nrx_status nrx_net_linear_denoise(nrx_net_denoiser W, void *user, size_t n, double tau,
    const float *v, float *out, float *work)
{
    float *u, *r, *p, *q;
    double rr = 0, start, pq, next;
    size_t i, k;
    nrx_status s = NRX_OK;
    if (!W || !v || !out || !work || !(tau >= 0)) return nrxi_fail(NULL, NRX_E_ARG,
        "nrx_net_linear_denoise: an argument is NULL or tau %g is negative", tau);
    u = work; r = u + n; p = r + n; q = p + n;
    for (i = 0; i < n; i++) { u[i] = 0; r[i] = p[i] = v[i]; rr += (double)v[i] * (double)v[i]; }
    start = rr;
    /* (tau + (1-tau) W) u = v, positive definite for W in (0,1] */
    for (k = 0; k < 1000 && rr > 1e-12 * start; k++) {
        s = W(user, p, q);
        if (s != NRX_OK) return s;
        for (i = 0, pq = 0; i < n; i++) { q[i] = (float)tau * p[i]
            + (float)(1 - tau) * q[i]; pq += (double)p[i] * (double)q[i]; }
        if (!(pq > 0)) return nrxi_fail(NULL, NRX_E_NUMERIC,
            "nrx_net_linear_denoise: W is not positive definite");
        for (i = 0, next = 0; i < n; i++) {
            u[i] += (float)(rr / pq) * p[i];
            r[i] -= (float)(rr / pq) * q[i];
            next += (double)r[i] * (double)r[i];
        }
        for (i = 0; i < n; i++) p[i] = r[i] + (float)(next / rr) * p[i];
        rr = next;
    }
    return W(user, u, out);
}

/* ---- networks as denoisers ---- */

typedef struct nrxi_net_denoiser {
    nrx_env env;
    nrx_net_plan *plan;
    int     predict;
    size_t  image;
    float   sigma, *in, *grad;
} nrxi_net_denoiser;

NRX_DEF nrx_status nrx_net_denoiser_create(const nrx_net *net, size_t height, size_t width, int predict,
    double sigma, const nrx_env *env, void **user)
{
    nrx_net_plan_desc pd = NRX_ZERO;
    nrx_net_plan *plan;
    nrxi_net_denoiser *d;
    nrx_status s;
    size_t size, shape[4], want;
    if (!user || !net || sigma < 0) return nrxi_fail(env, NRX_E_ARG, "nrx_net_denoiser_create: %s", !user
        ? "user is NULL" : !net ? "net is NULL" : "sigma is negative");
    *user = NULL;
    pd.height = height; pd.width = width;
    pd.mode = predict == NRX_NET_PREDICT_OUTPUT ? NRX_NET_INFER : NRX_NET_GRADIENT;
    if (env) pd.env = *env;
    s = nrx_net_plan_create(net, &pd, &plan);
    if (s != NRX_OK) return s;
    nrx_net_plan_output_shape(plan, shape);
    size = plan->map[0].size;
    want = predict == NRX_NET_PREDICT_OUTPUT ? size - (sigma > 0 ? height * width : 0) : 1;
    d = shape[1] * shape[2] * shape[3] != want || (sigma > 0 && plan->map[0].c < 2) ? NULL
        : (nrxi_net_denoiser *)nrxi_calloc(env, 1, sizeof *d + 2 * size * sizeof(float));
    if (!d) {
        s = shape[1] * shape[2] * shape[3] != want || (sigma > 0 && plan->map[0].c < 2)
            ? nrxi_fail(env, NRX_E_SHAPE,
                "nrx_net_denoiser_create: the network has %zu outputs, expected %zu", shape[1] * shape[2]
                    * shape[3], want)
            : nrxi_fail(env, NRX_E_NOMEM, "nrx_net_denoiser_create: no memory");
        nrx_net_plan_free(plan);
        return s;
    }
    if (env) d->env = *env;
    d->plan = plan;
    d->predict = predict;
    d->image = size - (sigma > 0 ? height * width : 0);
    d->sigma = (float)sigma;
    d->in = (float *)(void *)(d + 1);
    d->grad = d->in + size;
    *user = d;
    return NRX_OK;
}

NRX_DEF nrx_status nrx_net_denoise(void *user, const float *in, float *out)
{
    nrxi_net_denoiser *d = (nrxi_net_denoiser *)user;
    size_t i;
    nrx_status s;
    if (!d || !in || !out) return nrxi_fail(d ? &d->env : NULL, NRX_E_ARG,
        "nrx_net_denoise: an argument is NULL");
    memcpy(d->in, in, d->image * sizeof *in);
    for (i = d->image; i < d->plan->map[0].size; i++) d->in[i] = d->sigma;
    if (d->predict == NRX_NET_PREDICT_OUTPUT) return nrx_net_forward(d->plan, d->in, out);
    s = nrx_net_forward(d->plan, d->in, NULL);
    if (s == NRX_OK) s = nrx_net_backward(d->plan, NULL, d->grad, NULL);
    for (i = 0; s == NRX_OK && i < d->image; i++)
        out[i] = d->predict == NRX_NET_PREDICT_GRADIENT ? d->grad[i] : d->in[i] - d->grad[i];
    return s;
}

NRX_DEF void nrx_net_denoiser_free(void *user)
{
    nrxi_net_denoiser *d = (nrxi_net_denoiser *)user;
    nrx_env env;
    if (!d) return;
    env = d->env;
    nrx_net_plan_free(d->plan);
    nrxi_free(&env, d);
}

/* ---- weights from the noise, and the two-scalar refit ---- */

NRX_DEF nrx_status nrx_net_noise_weight(const nrx_linop *A, size_t count, const float *clean,
    const float *data, const nrx_functional *R, double *weight)
{
    float *r, *g;
    double mean = 0, top = R ? 0 : 1, v;
    size_t i, k;
    nrx_status s = NRX_OK;
    if (!A || !clean || !data || !weight || count == 0 || A->dtype != NRX_F32 || (R && R->n != A->cols))
        return nrxi_fail(NULL, NRX_E_ARG, "nrx_net_noise_weight: an argument is NULL, or R does not fit A");
    r = (float *)nrxi_alloc(NULL, A->rows + A->cols, sizeof *r);
    if (!r) return nrxi_fail(NULL, NRX_E_NOMEM, "nrx_net_noise_weight: no memory");
    g = r + A->rows;
    for (i = 0; s == NRX_OK && i < count; i++) {
        s = A->apply(A->user, clean + i * A->cols, r);
        for (k = 0; k < A->rows; k++) r[k] -= data[i * A->rows + k];
        if (s == NRX_OK) s = A->adjoint(A->user, r, g);
        mean += nrxi_net_norm(A->cols, g) / (double)count;
        if (s != NRX_OK || !R) continue;
        s = R->eval(R->user, clean + i * A->cols, NULL, g);
        v = nrxi_net_norm(A->cols, g);
        if (v > top) top = v;
    }
    nrxi_free(NULL, r);
    if (s == NRX_OK && !(top > 0 && nrxi_finite_f64(&mean)))
        s = nrxi_fail(NULL, NRX_E_NUMERIC, "nrx_net_noise_weight: R has no gradient at the clean images");
    if (s == NRX_OK) *weight = mean / top;
    return s;
}

typedef struct nrxi_net_refit {
    const nrx_net_refit_desc *d;
    nrx_net_refit_info *info;
    nrx_functional R;
    nrx_net_recon_desc recon;
    float *x;
    double lo[2], hi[2];
} nrxi_net_refit;

/* Mean squared error of all reconstructions with weight 2^at[0] and scale 2^at[1]; keeps the best. */
NRXI_FN nrx_status nrxi_net_refit_try(nrxi_net_refit *q, const double *at, double best[2], int *better)
{
    const nrx_linop *A = q->d->A;
    double sum = 0;
    size_t i, k, n = A->cols;
    nrx_status s;
    *better = 0;
    if (at[0] < q->lo[0] || at[0] > q->hi[0] || at[1] < q->lo[1] || at[1] > q->hi[1]) {
        q->info->at_edge = 1;
        return NRX_OK;
    }
    s = nrx_net_functional_rescale(&q->R, pow(2, at[0]), pow(2, at[1]));
    for (i = 0; s == NRX_OK && i < q->d->count; i++) {
        nrx_solve_info si;
        float *x = q->x + i * n;
        const float *t = q->d->truth + i * n;
        if (q->d->start) memcpy(x, q->d->start + i * n, n * sizeof *x); /* the same for every pair: no path enters */
        else memset(x, 0, n * sizeof *x);
        s = nrxi_net_minimise(A, q->d->data + i * A->rows, &q->R, x, &q->recon, &si);
        for (k = 0; k < n; k++) sum += ((double)x[k] - (double)t[k]) * ((double)x[k] - (double)t[k]);
    }
    if (s != NRX_OK) return s;
    sum /= (double)(q->d->count * n);
    q->info->evaluations++;
    if (q->info->evaluations == 1 || sum < q->info->loss) {
        q->info->loss = sum;
        best[0] = at[0];
        best[1] = at[1];
        *better = 1;
    }
    return nrxi_progress(&q->d->env, q->info->evaluations, 0, q->info->loss) ? NRX_E_CANCELLED : NRX_OK;
}

NRX_DEF nrx_status nrx_net_refit(nrx_net *net, const nrx_net_refit_desc *desc, nrx_net_refit_info *info)
{
    static const int way[8][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}, {1, 1}, {-1, -1}, {1, -1}, {-1, 1}};
    nrxi_net_refit q;
    nrx_net_refit_info local;
    nrx_net_functional_desc fd = NRX_ZERO;
    nrx_status s;
    double start[2], best[2], at[2], span, h, w0, s0;
    int i, j, better;
    if (!info) info = &local;
    memset(info, 0, sizeof *info);
    memset(&q, 0, sizeof q);
    if (!net || !desc || !desc->A || !desc->data || !desc->truth || desc->count == 0)
        return nrxi_fail(desc ? &desc->env : NULL, NRX_E_ARG,
            "nrx_net_refit: an argument is NULL, or count is 0");
    if (desc->A->dtype != NRX_F32 || desc->A->cols != net->layer[0].channels * desc->height * desc->width)
        return nrxi_fail(&desc->env, NRX_E_SHAPE, "nrx_net_refit: images %zux%zu, A has %zu columns",
            desc->height, desc->width, desc->A->cols);
    if (!nrxi_all_finite(desc->data, desc->count * desc->A->rows, NRX_F32) || !nrxi_all_finite(desc->truth,
        desc->count * desc->A->cols, NRX_F32))
        return nrxi_fail(&desc->env, NRX_E_NUMERIC, "nrx_net_refit: data or truth is not finite");
    q.d = desc;
    q.info = info;
    fd.env = desc->env;
    s = nrx_net_functional(net, desc->height, desc->width, &fd, &q.R);
    if (s != NRX_OK) return s;
    q.x = (float *)nrxi_calloc(&desc->env, desc->count * desc->A->cols, sizeof *q.x);
    if (!q.x) {
        nrx_net_functional_free(&q.R);
        return nrxi_fail(&desc->env, NRX_E_NOMEM, "nrx_net_refit: no memory for %zu images", desc->count);
    }
    nrx_net_scaling(net, &w0, &s0);
    start[0] = log2(desc->weight > 0 ? desc->weight : w0);
    start[1] = log2(desc->scale > 0 ? desc->scale : s0);
    span = desc->span > 0 ? desc->span : 4;
    for (i = 0; i < 2; i++) { q.lo[i] = start[i] - 3 * span; q.hi[i] = start[i] + 3 * span;
        best[i] = start[i]; }
    q.recon.max_iter = desc->max_iter ? desc->max_iter : 300;
    q.recon.tol = desc->tol > 0 ? desc->tol : 1e-4;
    q.recon.nonnegative = desc->nonnegative;
    q.recon.env = desc->env;
    q.recon.env.progress = NULL;
    /* heavy weights first: each start is close to the next solution */
    for (i = -2; s == NRX_OK && i <= 2; i++)
        for (j = -1; s == NRX_OK && j <= 1; j++) {
            at[0] = start[0] - 0.5 * span * i;
            at[1] = start[1] + 0.5 * span * j;
            s = nrxi_net_refit_try(&q, at, best, &better);
        }
    for (h = 0.25 * span; s == NRX_OK && h >= (desc->accuracy > 0 ? desc->accuracy : 0.0625);) {
        for (i = 0, better = 0; s == NRX_OK && i < 8 && !better; i++) {
            at[0] = best[0] + h * way[i][0];
            at[1] = best[1] + h * way[i][1];
            s = nrxi_net_refit_try(&q, at, best, &better);
        }
        if (!better) h *= 0.5;
    }
    info->weight = pow(2, best[0]);
    info->scale = pow(2, best[1]);
    if (s == NRX_OK || s == NRX_E_CANCELLED) nrx_net_set_scaling(net, info->weight, info->scale);
    nrxi_free(&desc->env, q.x);
    nrx_net_functional_free(&q.R);
    return s;
}

/* ---- tiles, slices ---- */

/* Reach in input pixels and grid spacing of every node up to the output; work: 2 numbers per node. */
NRXI_FN nrx_status nrxi_net_reach(const nrx_net *net, size_t *halo, size_t *grid, size_t *work,
    const char *who)
{
    size_t i, k, out = (size_t)nrxi_net_out(net), *reach = work, *space = work + net->layers;
    *grid = 1;
    reach[0] = 0;
    space[0] = 1;
    for (i = 1; i <= out; i++) {
        const nrxi_net_layer *l = net->layer + i;
        size_t a = (size_t)l->in[0], span, less, g = space[a], r = reach[a];
        const char *wrong = NULL;
        switch (l->kind) {
        case NRXI_NET_CONV:
            span = ((l->kh > l->kw ? l->kh : l->kw) - 1) * l->dilation;
            less = l->pad_y < l->pad_x ? l->pad_y : l->pad_x; /* what lies behind the padding */
            span = span > less ? span - less : 0;
            k = l->pad_y > l->pad_x ? l->pad_y : l->pad_x;
            r += g * (span > k ? span : k);
            g *= l->stride;
            if (l->padding == NRX_NET_PAD_CIRCULAR && (l->kh > 1 || l->kw > 1)) wrong
                = "has circular padding";
            break;
        case NRXI_NET_CONVT:
            if (g % l->stride) wrong = "enlarges beyond the input's size";
            else g /= l->stride;
            r += g * ((l->kh > l->kw ? l->kh : l->kw) * l->dilation + l->pad_y + l->pad_x);
            break;
        case NRXI_NET_AVGPOOL: case NRXI_NET_MAXPOOL: r += g * (l->first - 1); g *= l->first; break;
        case NRXI_NET_RESIZE:
            if (g % l->first) wrong = "enlarges beyond the input's size";
            else { r += l->adjoint ? g : 0; g /= l->first; }
            break;
        case NRXI_NET_DENSE: case NRXI_NET_SUM: case NRXI_NET_MEAN: case NRXI_NET_SPATIAL_MEAN:
        case NRXI_NET_GROUPNORM: case NRXI_NET_OPERATOR: case NRXI_NET_GRID: case NRXI_NET_SPECTRAL:
            wrong = "sees the whole image";
            break;
        default: break;
        }
        if (!wrong && l->in[1] >= 0) {
            if (space[l->in[1]] != space[a]) wrong = "joins two resolutions";
            if (reach[l->in[1]] > r) r = reach[l->in[1]];
        }
        if (wrong) return nrxi_fail(&net->env, NRX_E_UNSUPPORTED,
            "%s: layer %s (node %zu) %s: it cannot be cut", who, l->name, i, wrong);
        reach[i] = r;
        space[i] = g;
        if (g > *grid) *grid = g;
    }
    if (space[out] != 1) return nrxi_fail(&net->env, NRX_E_UNSUPPORTED,
        "%s: the output has another size than the input", who);
    *halo = (reach[out] + *grid - 1) / *grid * *grid;
    return NRX_OK;
}

NRX_DEF nrx_status nrx_net_reach(const nrx_net *net, size_t *halo, size_t *grid)
{
    size_t *work;
    nrx_status s;
    if (!net || !halo || !grid) return nrxi_fail(net ? &net->env : NULL, NRX_E_ARG,
        "nrx_net_reach: an argument is NULL");
    work = (size_t *)nrxi_alloc(&net->env, 2 * net->layers, sizeof *work);
    if (!work) return nrxi_fail(&net->env, NRX_E_NOMEM, "nrx_net_reach: no memory");
    s = nrxi_net_reach(net, halo, grid, work, "nrx_net_reach");
    nrxi_free(&net->env, work);
    return s;
}

/* Copies a h x w window between images of row lengths from_w and to_w. */
NRXI_FN void nrxi_net_window(const float *from, size_t from_w, float *to, size_t to_w, size_t h, size_t w)
{
    size_t y;
    for (y = 0; y < h; y++) memcpy(to + y * to_w, from + y * from_w, w * sizeof *to);
}

/* Start of the window of `size` that covers [from, from + tile) with its halo, kept inside n. */
NRXI_FN size_t nrxi_net_window_at(size_t from, size_t halo, size_t size, size_t n)
{
    size_t at = from > halo ? from - halo : 0;
    return at + size > n ? n - size : at;
}

NRX_DEF nrx_status nrx_net_tiled(const nrx_net *net, size_t height, size_t width, size_t tile,
    const float *x, float *y, const nrx_env *env)
{
    nrx_net_plan_desc pd = NRX_ZERO;
    nrx_net_plan *plan;
    nrx_status s;
    size_t halo = 0, grid = 1, ty, tx, c, ci, co, shape[4], wy, wx;
    float *in, *out;
    if (!net || !x || !y || height == 0 || width == 0 || tile == 0)
        return nrxi_fail(env, NRX_E_ARG, "nrx_net_tiled: an argument is NULL or 0");
    s = nrx_net_reach(net, &halo, &grid);
    if (s != NRX_OK) return s;
    if (height % grid || width % grid)
        return nrxi_fail(env, NRX_E_SHAPE, "nrx_net_tiled: image %zux%zu, sizes must be multiples of %zu",
            height, width, grid);
    if (tile > height + width) tile = height + width;
    tile = (tile + grid - 1) / grid * grid;
    pd.height = tile + 2 * halo < height ? tile + 2 * halo : height;
    pd.width = tile + 2 * halo < width ? tile + 2 * halo : width;
    if (env) pd.env = *env;
    s = nrx_net_plan_create(net, &pd, &plan);
    if (s != NRX_OK) return s;
    nrx_net_plan_output_shape(plan, shape);
    ci = net->layer[0].channels;
    co = shape[1];
    in = shape[2] != pd.height || shape[3] != pd.width ? NULL
        : (float *)nrxi_alloc(env, (ci + co) * pd.height * pd.width, sizeof *in);
    if (!in) {
        nrx_net_plan_free(plan);
        return shape[2] != pd.height || shape[3] != pd.width
            ? nrxi_fail(env, NRX_E_UNSUPPORTED, "nrx_net_tiled: the output has another size than the input")
            : nrxi_fail(env, NRX_E_NOMEM, "nrx_net_tiled: no memory");
    }
    out = in + ci * pd.height * pd.width;
    for (ty = 0; s == NRX_OK && ty < height; ty += tile)
        for (tx = 0; s == NRX_OK && tx < width; tx += tile) {
            size_t rows = height - ty < tile ? height - ty : tile,
                cols = width - tx < tile ? width - tx : tile;
            wy = nrxi_net_window_at(ty, halo, pd.height, height);
            wx = nrxi_net_window_at(tx, halo, pd.width, width);
            for (c = 0; c < ci; c++)
                nrxi_net_window(x + (c * height + wy) * width + wx, width, in + c * pd.height * pd.width,
                    pd.width, pd.height, pd.width);
            s = nrx_net_forward(plan, in, out);
            for (c = 0; s == NRX_OK && c < co; c++)
                nrxi_net_window(out + (c * pd.height + ty - wy) * pd.width + tx - wx, pd.width,
                    y + (c * height + ty) * width + tx, width, rows, cols);
            if (s == NRX_OK && nrxi_progress(env, ty * width + tx * rows + rows * cols, height * width, 0))
                s = NRX_E_CANCELLED;
        }
    nrxi_free(env, in);
    nrx_net_plan_free(plan);
    return s;
}

NRX_DEF nrx_status nrx_net_slices(const nrx_net *net, size_t depth, size_t height, size_t width,
    const float *x, float *y, const nrx_env *env)
{
    nrx_net_plan_desc pd = NRX_ZERO;
    nrx_net_plan *plan;
    nrx_status s;
    size_t area, z, k, c, shape[4];
    float *in;
    if (!net || !x || !y || depth == 0) return nrxi_fail(env, NRX_E_ARG,
        "nrx_net_slices: an argument is NULL or 0");
    c = net->layer[0].channels;
    if (c % 2 == 0 || !nrxi_mul_ok(height, width, &area))
        return nrxi_fail(env, NRX_E_SHAPE, "nrx_net_slices: %zu input channels, an odd number is needed", c);
    pd.height = height; pd.width = width;
    if (env) pd.env = *env;
    s = nrx_net_plan_create(net, &pd, &plan);
    if (s != NRX_OK) return s;
    nrx_net_plan_output_shape(plan, shape);
    in = shape[1] * shape[2] * shape[3] != area ? NULL : (float *)nrxi_alloc(env, c * area, sizeof *in);
    if (!in) s = shape[1] * shape[2] * shape[3] != area
        ? nrxi_fail(env, NRX_E_SHAPE, "nrx_net_slices: the network gives %zu numbers, a slice has %zu",
            shape[1] * shape[2] * shape[3], area)
        : nrxi_fail(env, NRX_E_NOMEM, "nrx_net_slices: no memory");
    for (z = 0; s == NRX_OK && z < depth; z++) {
        for (k = 0; k < c; k++) {
            size_t at = z + k < c / 2 ? 0 : z + k - c / 2;
            memcpy(in + k * area, x + (at < depth ? at : depth - 1) * area, area * sizeof *in);
        }
        s = nrx_net_forward(plan, in, y + z * area);
        if (s == NRX_OK && nrxi_progress(env, z + 1, depth, 0)) s = NRX_E_CANCELLED;
    }
    nrxi_free(env, in);
    nrx_net_plan_free(plan);
    return s;
}

typedef struct nrxi_net_stack { nrx_env env; const nrx_functional *plane; size_t depth; } nrxi_net_stack;

NRXI_FN nrx_status nrxi_net_stack_eval(void *user, const void *x, double *value, void *grad)
{
    const nrxi_net_stack *q = (const nrxi_net_stack *)user;
    const float *in = (const float *)x;
    size_t z;
    double v, sum = 0;
    for (z = 0; z < q->depth; z++) {
        nrx_status s = q->plane->eval(q->plane->user, in + z * q->plane->n, value ? &v : NULL, grad
            ? (float *)grad + z * q->plane->n : NULL);
        if (s != NRX_OK) return s;
        if (value) sum += v;
    }
    if (value) *value = sum;
    return NRX_OK;
}

NRX_DEF nrx_status nrx_net_stack_functional(const nrx_functional *plane, size_t depth, const nrx_env *env,
    nrx_functional *stack)
{
    nrxi_net_stack *q;
    size_t n = 0;
    if (!plane || !plane->eval || !stack || depth == 0 || plane->dtype != NRX_F32 || !nrxi_mul_ok(plane->n,
        depth, &n))
        return nrxi_fail(env, NRX_E_ARG, "nrx_net_stack_functional: needs an f32 functional and slices");
    q = (nrxi_net_stack *)nrxi_calloc(env, 1, sizeof *q);
    if (!q) return nrxi_fail(env, NRX_E_NOMEM, "nrx_net_stack_functional: no memory");
    if (env) q->env = *env;
    q->plane = plane;
    q->depth = depth;
    *stack = *plane;
    stack->eval = nrxi_net_stack_eval;
    stack->prox = NULL;
    stack->user = q;
    stack->n = n;
    return NRX_OK;
}

NRX_DEF void nrx_net_stack_functional_free(nrx_functional *stack)
{
    nrxi_net_stack *q = stack ? (nrxi_net_stack *)stack->user : NULL;
    nrx_env env;
    if (!q) return;
    env = q->env;
    nrxi_free(&env, q);
    memset(stack, 0, sizeof *stack);
}

/* ---- periodic blur ---- */

typedef struct nrxi_net_blurred { nrx_env env; size_t h, w; float *symbol, *z, *work; } nrxi_net_blurred;

/* y = transform back of  factor(symbol) * transform(x): 0 = symbol, 1 = conjugate, 2 = 1/(|symbol|^2 + tau).
   */
NRXI_FN void nrxi_net_blur_run(const nrxi_net_blurred *q, int what, double tau, const float *x, float *y)
{
    size_t k, area = q->h * q->w;
    float unit = 1.0f / (float)area;
    for (k = 0; k < area; k++) { q->z[2 * k] = x[k]; q->z[2 * k + 1] = 0; }
    nrxi_net_fft2(q->h, q->w, q->z, 0, q->work);
    for (k = 0; k < area; k++) {
        float *z = q->z + 2 * k, a = q->symbol[2 * k], b = what ? -q->symbol[2 * k + 1] : q->symbol[2 * k
            + 1], re = z[0];
        if (what == 2) { a = 1.0f / (a * a + b * b + (float)tau); b = 0; }
        z[0] = (a * re - b * z[1]) * unit;
        z[1] = (a * z[1] + b * re) * unit;
    }
    nrxi_net_fft2(q->h, q->w, q->z, 1, q->work);
    for (k = 0; k < area; k++) y[k] = q->z[2 * k];
}

NRXI_FN nrx_status nrxi_net_blur_apply(void *user, const void *x, void *y)
{
    nrxi_net_blur_run((const nrxi_net_blurred *)user, 0, 0, (const float *)x, (float *)y);
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_net_blur_adjoint(void *user, const void *y, void *x)
{
    nrxi_net_blur_run((const nrxi_net_blurred *)user, 1, 0, (const float *)y, (float *)x);
    return NRX_OK;
}

NRX_DEF nrx_status nrx_net_blur(size_t height, size_t width, const float *kernel, size_t kh, size_t kw,
    const nrx_env *env, nrx_linop *op)
{
    nrxi_net_blurred *q;
    size_t area = 0, y, x, k, bytes = 0;
    double top = 0;
    if (!op || !kernel || kh == 0 || kw == 0 || height == 0 || width == 0)
        return nrxi_fail(env, NRX_E_ARG, "nrx_net_blur: an argument is NULL or 0");
    memset(op, 0, sizeof *op);
    if (kh > height || kw > width) return nrxi_fail(env, NRX_E_SHAPE,
        "nrx_net_blur: kernel %zux%zu, image %zux%zu", kh, kw, height, width);
    if (!nrxi_mul_ok(height, width, &area) || !nrxi_mul_ok(area, 32, &bytes))
        return nrxi_fail(env, NRX_E_RANGE, "nrx_net_blur: image %zux%zu", height, width);
    if (!nrxi_all_finite(kernel, kh * kw, NRX_F32)) return nrxi_fail(env, NRX_E_NUMERIC,
        "nrx_net_blur: the kernel is not finite");
    q = (nrxi_net_blurred *)nrxi_calloc(env, 1, sizeof *q + (4 * area + nrxi_net_fft2_floats(height, width))
        * 4);
    if (!q) return nrxi_fail(env, NRX_E_NOMEM, "nrx_net_blur: no memory");
    if (env) q->env = *env;
    q->h = height;
    q->w = width;
    q->symbol = (float *)(void *)(q + 1);
    q->z = q->symbol + 2 * area;
    q->work = q->z + 2 * area;
    nrxi_net_fft2_init(height, width, q->work);
    for (y = 0; y < kh; y++)
        for (x = 0; x < kw; x++)
            q->symbol[2 * ((y + height - kh / 2) % height * width + (x + width - kw / 2) % width)]
                = kernel[y * kw + x];
    nrxi_net_fft2(height, width, q->symbol, 0, q->work);
    for (k = 0; k < area; k++) {
        double a = (double)q->symbol[2 * k], b = (double)q->symbol[2 * k + 1];
        if (a * a + b * b > top) top = a * a + b * b;
    }
    op->apply = nrxi_net_blur_apply;
    op->adjoint = nrxi_net_blur_adjoint;
    op->user = q;
    op->rows = op->cols = area;
    op->dtype = NRX_F32;
    op->norm = sqrt(top) * (1 + 1e-6);
    return NRX_OK;
}

NRX_DEF nrx_status nrx_net_blur_solve(const nrx_linop *op, double tau, const float *b, float *x)
{
    if (!op || op->apply != nrxi_net_blur_apply || !b || !x || !(tau > 0))
        return nrxi_fail(NULL, NRX_E_ARG, "nrx_net_blur_solve: needs an operator of nrx_net_blur and tau > 0");
    nrxi_net_blur_run((const nrxi_net_blurred *)op->user, 2, tau, b, x);
    return NRX_OK;
}

NRX_DEF void nrx_net_blur_free(nrx_linop *op)
{
    nrxi_net_blurred *q = op ? (nrxi_net_blurred *)op->user : NULL;
    nrx_env env;
    if (!q) return;
    env = q->env;
    nrxi_free(&env, q);
    memset(op, 0, sizeof *op);
}

/* ---- Langevin sampling ---- */

typedef struct nrxi_net_sampler {
    const nrx_linop *A;
    const nrx_functional *R;
    const float *y;
    double sigma;
    float *r, *h;
} nrxi_net_sampler;

/* g = grad of |Ax-y|^2/(2 sigma^2) + R. */
NRXI_FN nrx_status nrxi_net_potential(const nrxi_net_sampler *q, const float *x, float *g, double *value)
{
    double fit = 0, v = 0, w = 1 / (q->sigma * q->sigma);
    size_t i;
    nrx_status s = q->A->apply(q->A->user, x, q->r);
    for (i = 0; i < q->A->rows; i++) { q->r[i] -= q->y[i]; fit += (double)q->r[i] * (double)q->r[i]; }
    if (s == NRX_OK) s = q->A->adjoint(q->A->user, q->r, g);
    if (s == NRX_OK) s = q->R->eval(q->R->user, x, &v, q->h);
    for (i = 0; s == NRX_OK && i < q->A->cols; i++) g[i] = (float)w * g[i] + q->h[i];
    *value = 0.5 * w * fit + v;
    return s;
}

/* One step with noise z: stages s, damping 0.05; s = 1 is Euler and Maruyama. k: two vectors more, g one. */
NRXI_FN nrx_status nrxi_net_langevin_step(const nrxi_net_sampler *q, size_t stages, double step, float *x,
    const float *z, float *k1, float *k2, float *g, double *value)
{
    size_t i, j, n = q->A->cols;
    double s = (double)stages, w0 = 1 + 0.05 / (s * s), noise = sqrt(2 * step), t0 = 1, t1 = w0, d0 = 0,
        d1 = 1, w1;
    nrx_status st;
    if (stages <= 1) {
        st = nrxi_net_potential(q, x, g, value);
        for (i = 0; st == NRX_OK && i < n; i++) x[i] += (float)(noise * (double)z[i] - step * (double)g[i]);
        return st;
    }
    for (j = 2; j <= stages; j++) { /* Chebyshev polynomials and their derivatives at w0 */
        double t = 2 * w0 * t1 - t0, d = 2 * t1 + 2 * w0 * d1 - d0;
        t0 = t1; t1 = t; d0 = d1; d1 = d;
    }
    w1 = t1 / d1;
    for (i = 0; i < n; i++) k1[i] = x[i] + (float)(0.5 * s * w1 * noise) * z[i];
    st = nrxi_net_potential(q, k1, g, value);
    for (i = 0; st == NRX_OK && i < n; i++) {
        k2[i] = x[i]; /* K_0 */
        k1[i] = x[i] + (float)(w1 / w0) * ((float)(-step) * g[i] + (float)(s * noise) * z[i]);
    }
    for (j = 2, t0 = 1, t1 = w0; st == NRX_OK && j <= stages; j++) {
        double t = 2 * w0 * t1 - t0, mu = 2 * w1 * t1 / t, nu = 2 * w0 * t1 / t, back = -t0 / t;
        st = nrxi_net_potential(q, k1, g, value);
        for (i = 0; i < n; i++) {
            float next = (float)(nu * (double)k1[i] + back * (double)k2[i] - mu * step * (double)g[i]);
            k2[i] = k1[i];
            k1[i] = next;
        }
        t0 = t1; t1 = t;
    }
    if (st == NRX_OK) memcpy(x, k1, n * sizeof *x);
    return st;
}

NRX_DEF nrx_status nrx_net_langevin(const nrx_linop *A, const float *y, const nrx_functional *R, float *x,
    float *mean, float *variance, const nrx_net_langevin_desc *desc, nrx_net_langevin_info *info)
{
    nrx_net_langevin_desc d = NRX_ZERO;
    nrx_net_langevin_info local;
    nrx_net_recon_desc rd = NRX_ZERO;
    nrxi_net_sampler q;
    nrx_rng rng;
    nrx_status s;
    size_t n, i, step, kept = 0, total;
    float *z, *k1, *k2, *g;
    double *m, value = 0, limit;
    if (desc) d = *desc;
    if (!info) info = &local;
    memset(info, 0, sizeof *info);
    rd.env = d.env;
    s = nrxi_net_recon_check(A, y, x, &rd, "nrx_net_langevin");
    if (s != NRX_OK) return s;
    if (!R || !R->eval || R->n != A->cols || R->dtype != NRX_F32) return nrxi_fail(&d.env, NRX_E_SHAPE,
        "nrx_net_langevin: the functional takes %zu f32 numbers, A has %zu columns", R ? R->n : 0, A->cols);
    if (R->convexity != NRX_CONVEX || !(R->lip > 0) || !(A->norm > 0)) return nrxi_fail(&d.env, NRX_E_ARG,
        "nrx_net_langevin: needs a functional certified convex with a Lipschitz gradient, and A's norm");
    if (d.sigma == 0) d.sigma = 1;
    if (d.stages == 0) d.stages = 1;
    if (d.samples == 0) d.samples = 1000;
    if (d.burn_in == 0) d.burn_in = d.samples / 10;
    if (d.thin == 0) d.thin = 1;
    info->lip = A->norm * A->norm / (d.sigma * d.sigma) + R->lip;
    limit = (double)d.stages - 0.5;
    limit = (d.stages == 1 ? 2 : limit * limit * (2 - 0.2 / 3) - 1.5) / info->lip;
    if (d.step == 0) d.step = 0.5 * limit;
    if (!(d.sigma > 0) || !(d.step > 0) || d.step > limit) return nrxi_fail(&d.env, NRX_E_ARG,
        "nrx_net_langevin: sigma %g, step %g; steps above %g are not stable", d.sigma, d.step, limit);
    info->step = d.step;
    n = A->cols;
    z = (float *)nrxi_alloc(&d.env, 5 * n + A->rows, sizeof *z);
    m = (double *)nrxi_calloc(&d.env, 2 * n, sizeof *m);
    if (!z || !m) {
        nrxi_free(&d.env, z);
        nrxi_free(&d.env, m);
        return nrxi_fail(&d.env, NRX_E_NOMEM, "nrx_net_langevin: no memory");
    }
    k1 = z + n; k2 = k1 + n; g = k2 + n;
    q.A = A; q.R = R; q.y = y; q.sigma = d.sigma; q.h = g + n; q.r = q.h + n;
    nrx_rng_seed(&rng, d.seed, 0x6c616e67);
    total = d.burn_in + d.samples * d.thin;
    for (step = 0; s == NRX_OK && step < total; step++) {
        for (i = 0; i < n; i++) z[i] = (float)nrx_rng_normal(&rng);
        s = nrxi_net_langevin_step(&q, d.stages, d.step, x, z, k1, k2, g, &value);
        info->gradients += d.stages;
        if (s == NRX_OK && !nrxi_finite_f64(&value))
            s = nrxi_fail(&d.env, NRX_E_NUMERIC, "nrx_net_langevin: the potential is not finite at step %zu",
                step);
        if (s != NRX_OK) break;
        if (step >= d.burn_in && (step - d.burn_in) % d.thin == d.thin - 1) {
            kept++;
            for (i = 0; i < n; i++) { /* Welford */
                double e = (double)x[i] - m[i];
                m[i] += e / (double)kept;
                m[n + i] += e * ((double)x[i] - m[i]);
            }
            if (d.sample) s = d.sample(d.sample_user, kept - 1, x);
        }
        if (s == NRX_OK && nrxi_progress(&d.env, step + 1, total, value)) s = NRX_E_CANCELLED;
    }
    info->samples = kept;
    for (i = 0; i < n; i++) {
        if (mean) mean[i] = (float)m[i];
        if (variance) variance[i] = kept > 1 ? (float)(m[n + i] / (double)(kept - 1)) : 0.0f;
    }
    nrxi_free(&d.env, z);
    nrxi_free(&d.env, m);
    return s;
}

/* ---- bilevel ---- */

NRX_DEF nrx_status nrx_net_hypergradient(const nrx_net *net, const nrx_linop *A, const float *x,
    const float *gx, float *grad, const nrx_net_hyper_desc *desc, nrx_net_hyper_info *info)
{
    nrx_net_hyper_desc d = NRX_ZERO;
    nrx_net_hyper_info local;
    nrx_net_plan_desc pd;
    nrx_net_plan *plan;
    nrx_net_report proof;
    nrx_status s;
    size_t n, i, k;
    float *q, *r, *p, *hp, *back, *t;
    double rr = 0, start, php, pp, next;
    if (desc) d = *desc;
    if (!info) info = &local;
    memset(info, 0, sizeof *info);
    info->curvature = HUGE_VAL;
    if (!net || !A || !x || !gx || !grad) return nrxi_fail(&d.env, NRX_E_ARG,
        "nrx_net_hypergradient: an argument is NULL");
    if (A->dtype != NRX_F32 || d.height == 0 || d.width == 0 || A->cols != net->layer[0].channels * d.height
        * d.width)
        return nrxi_fail(&d.env, NRX_E_SHAPE, "nrx_net_hypergradient: images %zux%zu, A has %zu columns",
            d.height, d.width, A->cols);
    if (d.weight == 0) d.weight = 1;
    if (d.tol == 0) d.tol = 1e-6;
    if (d.max_iter == 0) d.max_iter = 500;
    memset(&pd, 0, sizeof pd);
    pd.height = d.height; pd.width = d.width; pd.mode = NRX_NET_PAIR; pd.env = d.env;
    s = nrx_net_plan_create(net, &pd, &plan);
    if (s != NRX_OK) return s;
    n = A->cols;
    q = (float *)nrxi_alloc(&d.env, 5 * n + A->rows, sizeof *q);
    if (!q) { nrx_net_plan_free(plan); return nrxi_fail(&d.env, NRX_E_NOMEM,
        "nrx_net_hypergradient: no memory"); }
    r = q + n; p = r + n; hp = p + n; back = hp + n; t = back + n;
    s = nrx_net_forward(plan, x, NULL);
    if (s == NRX_OK) s = nrx_net_backward(plan, NULL, NULL, NULL);
    for (i = 0; i < n; i++) { q[i] = 0; r[i] = p[i] = gx[i]; rr += (double)gx[i] * (double)gx[i]; }
    start = rr;
    if (d.jacobian_free && s == NRX_OK) {
        s = nrx_net_certify(net, d.height, d.width, &proof);
        if (s == NRX_OK && (nrxi_net_is_infinite(proof.lip_gradient) || !(A->norm > 0)))
            s = nrxi_fail(&d.env, NRX_E_ARG,
                "nrx_net_hypergradient: the Jacobian-free form needs A's norm and a smooth network");
        if (s == NRX_OK) for (i = 0; i < n; i++) q[i] = (float)((double)gx[i] / (A->norm * A->norm + d.weight
            * proof.lip_gradient));
        rr = 0;
    }
    for (k = 0; s == NRX_OK && k < d.max_iter && rr > d.tol * d.tol * start; k++) {
        s = nrx_net_tangent(plan, p, NULL);
        if (s == NRX_OK) s = nrx_net_backward_tangent(plan, NULL, NULL, hp, NULL, NULL);
        for (i = 0; i < n; i++) hp[i] *= (float)d.weight;
        if (s == NRX_OK) s = A->apply(A->user, p, t);
        if (s == NRX_OK) s = A->adjoint(A->user, t, back);
        if (s != NRX_OK) break;
        for (i = 0; i < n; i++) hp[i] += back[i];
        for (i = 0, php = pp = 0; i < n; i++) { php += (double)p[i] * (double)hp[i];
                pp += (double)p[i] * (double)p[i]; }
        if (php < info->curvature * pp) info->curvature = php / pp;
        if (!(php > 0)) { s = nrxi_fail(&d.env, NRX_E_NUMERIC,
            "nrx_net_hypergradient: the Hessian is not positive definite (curvature %g)", php / pp); break; }
        for (i = 0, next = 0; i < n; i++) {
            q[i] += (float)(rr / php) * p[i];
            r[i] -= (float)(rr / php) * hp[i];
            next += (double)r[i] * (double)r[i];
        }
        for (i = 0; i < n; i++) p[i] = r[i] + (float)(next / rr) * p[i];
        rr = next;
        info->iterations = k + 1;
    }
    info->residual = start > 0 ? sqrt(rr / start) : 0;
    for (i = 0; i < n; i++) info->solution += (double)q[i] * (double)q[i];
    info->solution = sqrt(info->solution);
    if (s == NRX_OK) {
        for (i = 0; i < n; i++) q[i] *= -(float)d.weight;
        s = nrx_net_tangent(plan, q, NULL);
        if (s == NRX_OK) s = nrx_net_backward_tangent(plan, NULL, NULL, NULL, NULL, grad);
    }
    nrxi_free(&d.env, q);
    nrx_net_plan_free(plan);
    return s;
}

/* ---- method of adaptive inexact descent ---- */

typedef struct nrxi_net_maid {
    nrx_net *net;
    nrx_net_maid_desc d;
    nrx_net_maid_info *info;
    nrx_net_plan *plan;
    nrx_functional R;        /* over the plan, so that new weights need no new certificate */
    float *x, *gx, *theta;   /* lower-level points [count][n], one loss gradient, weights before a step */
    double loss, slope;      /* mean loss and mean |grad loss| at x */
} nrxi_net_maid;

NRXI_FN nrx_status nrxi_net_maid_eval(void *user, const void *x, double *value, void *grad)
{
    nrxi_net_maid *m = (nrxi_net_maid *)user;
    float one;
    size_t i;
    nrx_status s = nrx_net_forward(m->plan, (const float *)x, &one);
    if (s == NRX_OK && grad) s = nrx_net_backward(m->plan, NULL, (float *)grad, NULL);
    for (i = 0; s == NRX_OK && grad && i < m->R.n; i++) ((float *)grad)[i] *= (float)m->d.weight;
    if (value) *value = m->d.weight * (double)one;
    return s;
}

NRXI_FN double nrxi_net_maid_loss(nrxi_net_maid *m, size_t i)
{
    const float *x = m->x + i * m->R.n, *t;
    double v = 0;
    size_t k;
    if (m->d.loss) return m->d.loss(m->d.loss_user, i, x, m->gx);
    t = m->d.truth + i * m->R.n;
    for (k = 0; k < m->R.n; k++) { m->gx[k] = x[k] - t[k]; v += 0.5 * (double)m->gx[k] * (double)m->gx[k]; }
    return v;
}

/* Lower-level solutions with |x - minimiser| <= accuracy; their mean loss. */
NRXI_FN nrx_status nrxi_net_maid_lower(nrxi_net_maid *m, double accuracy)
{
    nrx_net_recon_desc rd = NRX_ZERO;
    nrx_status s = NRX_OK;
    size_t i;
    rd.env = m->d.env;
    rd.env.progress = NULL;
    rd.method = NRX_SOLVE_ACCELERATED;
    rd.max_iter = m->d.max_lower;
    rd.gradient_tol = m->d.mu * accuracy;
    m->loss = m->slope = 0;
    for (i = 0; s == NRX_OK && i < m->d.count; i++) {
        nrx_solve_info si;
        s = nrxi_net_minimise(m->d.A, m->d.data + i * m->d.A->rows, &m->R, m->x + i * m->R.n, &rd, &si);
        m->info->lower_solves++;
        m->loss += nrxi_net_maid_loss(m, i) / (double)m->d.count;
        m->slope += nrxi_net_norm(m->R.n, m->gx) / (double)m->d.count;
    }
    return s;
}

/* Mean hypergradient into net->grad (frozen blocks zero); its norm and the estimate of |J|. */
NRXI_FN nrx_status nrxi_net_maid_gradient(nrxi_net_maid *m, double delta, double *norm, double *jacobian)
{
    nrx_net_hyper_desc hd = NRX_ZERO;
    nrx_status s = NRX_OK;
    double q = 0;
    size_t i, k;
    hd.height = m->d.height; hd.width = m->d.width; hd.weight = m->d.weight; hd.env = m->d.env;
    nrx_net_zero_grad(m->net);
    for (i = 0; s == NRX_OK && i < m->d.count; i++) {
        nrx_net_hyper_info hi;
        double size;
        (void)nrxi_net_maid_loss(m, i);
        size = nrxi_net_norm(m->R.n, m->gx);
        hd.tol = size > delta ? delta / size : 0.5;
        if (hd.tol < 1e-6) hd.tol = 1e-6;
        s = nrx_net_hypergradient(m->net, m->d.A, m->x + i * m->R.n, m->gx, m->net->grad, &hd, &hi);
        q += hi.solution;
    }
    for (i = 0; i < m->net->params; i++) {
        const nrxi_net_param *p = m->net->param + i;
        for (k = p->offset; k < p->offset + p->rows * p->cols; k++)
            m->net->grad[k] = p->frozen ? 0.0f : m->net->grad[k] / (float)m->d.count;
    }
    *norm = nrxi_net_norm(m->net->count, m->net->grad);
    *jacobian = q > 0 ? *norm * (double)m->d.count / q : 0;
    return s;
}

NRXI_FN nrx_status nrxi_net_maid_run(nrxi_net_maid *m)
{
    const double eta = 1e-4, shrink = 0.5, grow = 1.05, back = 0.9, least = 1e-7;
    double eps = m->d.accuracy, delta = m->d.accuracy, beta = m->d.step, norm = 0, first = 0, jacobian, step,
        loss,
        slope;
    size_t k, i, trials = 10;
    nrx_status s = NRX_OK;
    m->info->stop = NRX_STOP_MAX_ITER;
    for (k = 0; s == NRX_OK && k < m->d.max_iter; k++) {
        int accepted = 0;
        for (;;) { /* an accuracy that makes the negative hypergradient a descent direction */
            s = nrxi_net_maid_lower(m, eps);
            if (s == NRX_OK) s = nrxi_net_maid_gradient(m, delta, &norm, &jacobian);
            if (s != NRX_OK || jacobian / m->d.mu * (m->d.loss_lip * eps + delta) <= (1 - eta) * norm
                || eps < least)
                break;
            eps *= shrink;
            delta *= shrink;
        }
        if (s != NRX_OK) break;
        loss = m->loss;
        slope = m->slope;
        if (k == 0) { first = norm; m->info->first_loss = loss; }
        m->info->iterations = k;
        m->info->loss = loss; m->info->gradient = norm; m->info->accuracy = eps; m->info->step = beta;
        if (norm <= m->d.tol * first || norm == 0) { m->info->stop = NRX_STOP_TOL; return NRX_OK; }
        if (eps < least) { m->info->stop = NRX_STOP_STALLED; return NRX_OK; }
        memcpy(m->theta, m->net->theta, m->net->count * sizeof *m->theta);
        for (i = 0, step = beta; s == NRX_OK && i < trials && !accepted; i++) {
            size_t j;
            for (j = 0; j < m->net->count; j++) m->net->theta[j] = m->theta[j] - (float)step
                * m->net->grad[j];
            nrx_net_project(m->net);
            s = nrxi_net_maid_lower(m, eps);
            accepted = m->loss + m->slope * eps + 0.5 * m->d.loss_lip * eps * eps - loss + slope * eps
                <= -step * eta * eta * norm * norm;
            if (!accepted) { step *= back; m->info->backtracks++; }
        }
        if (accepted) {
            eps *= grow;
            delta *= grow;
            beta = step * 10.0 / 9.0;
            trials = 10;
            m->info->loss = m->loss;
        } else {
            memcpy(m->net->theta, m->theta, m->net->count * sizeof *m->theta);
            eps *= shrink;
            delta *= shrink;
            trials += 2;
        }
        if (s == NRX_OK && nrxi_progress(&m->d.env, k + 1, m->d.max_iter, m->info->loss)) {
            m->info->stop = NRX_STOP_CANCELLED;
            s = NRX_E_CANCELLED;
        }
    }
    return s;
}

NRX_DEF nrx_status nrx_net_maid(nrx_net *net, const nrx_net_maid_desc *desc, nrx_net_maid_info *info)
{
    nrxi_net_maid m;
    nrx_net_maid_info local;
    nrx_net_plan_desc pd = NRX_ZERO;
    nrx_net_report proof;
    nrx_status s;
    size_t n;
    if (!info) info = &local;
    memset(info, 0, sizeof *info);
    memset(&m, 0, sizeof m);
    if (!net || !desc || !desc->A || !desc->data || (!desc->truth && !desc->loss) || desc->count == 0)
        return nrxi_fail(desc ? &desc->env : NULL, NRX_E_ARG,
            "nrx_net_maid: an argument is NULL, or count is 0");
    m.d = *desc;
    m.net = net;
    m.info = info;
    n = desc->A->cols;
    if (desc->A->dtype != NRX_F32 || n != net->layer[0].channels * desc->height * desc->width)
        return nrxi_fail(&desc->env, NRX_E_SHAPE, "nrx_net_maid: images %zux%zu, A has %zu columns",
            desc->height, desc->width, n);
    if (m.d.weight == 0) m.d.weight = 1;
    if (m.d.loss_lip == 0) m.d.loss_lip = 1;
    if (m.d.accuracy == 0) m.d.accuracy = 0.1;
    if (m.d.step == 0) m.d.step = 0.1;
    if (m.d.tol == 0) m.d.tol = 1e-4;
    if (m.d.max_iter == 0) m.d.max_iter = 200;
    if (m.d.max_lower == 0) m.d.max_lower = 2000;
    if (m.d.mu == 0) {
        s = nrx_net_certify(net, desc->height, desc->width, &proof);
        if (s != NRX_OK) return s;
        m.d.mu = m.d.weight * proof.mu;
    }
    if (!(m.d.mu > 0)) return nrxi_fail(&desc->env, NRX_E_ARG,
        "nrx_net_maid: the lower level is not known to be strongly convex: give mu, or a network with a quadratic");
    pd.height = desc->height; pd.width = desc->width; pd.mode = NRX_NET_GRADIENT; pd.env = desc->env;
    s = nrx_net_plan_create(net, &pd, &m.plan);
    if (s != NRX_OK) return s;
    m.R.eval = nrxi_net_maid_eval;
    m.R.user = &m;
    m.R.n = n;
    m.R.dtype = NRX_F32;
    m.R.convexity = NRX_CONVEX;
    m.x = (float *)nrxi_calloc(&desc->env, (desc->count + 1) * n + net->count, sizeof *m.x);
    if (!m.x) s = nrxi_fail(&desc->env, NRX_E_NOMEM, "nrx_net_maid: no memory for %zu images", desc->count);
    else {
        m.gx = m.x + desc->count * n;
        m.theta = m.gx + n;
        s = nrxi_net_maid_run(&m);
    }
    nrxi_free(&desc->env, m.x);
    nrx_net_plan_free(m.plan);
    return s;
}

/* ---- checkpoints: a list of named tensors ---- */

#ifndef NRX_MAX_ELEMS
#define NRX_MAX_ELEMS ((size_t)1 << 28)
#endif

struct nrx_net_checkpoint {
    nrx_env env;
    nrx_net_weight *item;
    size_t  count, room, elements;
    char  **meta;            /* key, value, key, value ... */
    size_t  metas, meta_room;
};

NRXI_FN char *nrxi_net_copy_text(const nrx_env *env, const char *s, size_t n)
{
    char *t = (char *)nrxi_alloc(env, n + 1, 1);
    if (!t) return NULL;
    memcpy(t, s, n);
    t[n] = 0;
    return t;
}

NRX_DEF void nrx_net_checkpoint_free(nrx_net_checkpoint *c)
{
    nrx_env env;
    size_t i;
    if (!c) return;
    env = c->env;
    for (i = 0; i < c->count; i++) {
        nrxi_free(&env, (void *)(uintptr_t)c->item[i].name);
        nrxi_free(&env, (void *)(uintptr_t)c->item[i].data);
    }
    for (i = 0; i < c->metas; i++) nrxi_free(&env, c->meta[i]);
    nrxi_free(&env, c->item);
    nrxi_free(&env, c->meta);
    nrxi_free(&env, c);
}

NRX_DEF size_t nrx_net_checkpoint_count(const nrx_net_checkpoint *c) { return c ? c->count : 0; }
NRX_DEF const nrx_net_weight *nrx_net_checkpoint_at(const nrx_net_checkpoint *c, size_t i) { return c
    && i < c->count
    ? c->item + i : NULL; }

NRX_DEF const nrx_net_weight *nrx_net_checkpoint_find(const nrx_net_checkpoint *c, const char *name)
{
    size_t i;
    if (c && name) for (i = 0; i < c->count; i++) if (strcmp(c->item[i].name, name) == 0) return c->item + i;
    return NULL;
}

NRX_DEF const char *nrx_net_checkpoint_meta(const nrx_net_checkpoint *c, const char *key)
{
    size_t i;
    if (c && key) for (i = 0; i + 1 < c->metas; i += 2) if (strcmp(c->meta[i], key) == 0) return c->meta[i
        + 1];
    return NULL;
}

/* Element formats of files. */
enum { NRXI_NET_E_F32, NRXI_NET_E_F64, NRXI_NET_E_F16, NRXI_NET_E_BF16, NRXI_NET_E_I64, NRXI_NET_E_I32,
    NRXI_NET_E_I16, NRXI_NET_E_I8, NRXI_NET_E_U8,
    NRXI_NET_E_BOOL };

NRXI_FN size_t nrxi_net_elem_size(int e)
{
    switch (e) {
    case NRXI_NET_E_F64: case NRXI_NET_E_I64: return 8;
    case NRXI_NET_E_F32: case NRXI_NET_E_I32: return 4;
    case NRXI_NET_E_F16: case NRXI_NET_E_BF16: case NRXI_NET_E_I16: return 2;
    default: return 1;
    }
}

NRXI_FN float nrxi_net_elem(int e, const unsigned char *p)
{
    uint64_t u = nrxi_get_le(p, (int)nrxi_net_elem_size(e));
    uint32_t w = (uint32_t)(u & 0xffffffffu);
    float f;
    double d;
    switch (e) {
    case NRXI_NET_E_F32: memcpy(&f, &w, 4); return f;
    case NRXI_NET_E_F64: memcpy(&d, &u, 8); return (float)d;
    case NRXI_NET_E_F16: return (float)nrxi_half_to_double((unsigned)w);
    case NRXI_NET_E_BF16: w <<= 16; memcpy(&f, &w, 4); return f;
    case NRXI_NET_E_I64: return u >> 63 ? -(float)(~u + 1u) : (float)u;
    case NRXI_NET_E_I32: return w >> 31 ? -(float)(~w + 1u) : (float)w;
    case NRXI_NET_E_I16: return w >> 15 ? (float)w - 65536.0f : (float)w;
    case NRXI_NET_E_I8: return w >> 7 ? (float)w - 256.0f : (float)w;
    default: return (float)w;
    }
}

/* Appends a tensor of `count` numbers, to be filled; NULL after an error (logged). */
NRXI_FN float *nrxi_net_checkpoint_add(nrx_net_checkpoint *c, const char *name, size_t name_size,
    const size_t *shape, int ndim, nrx_status *status)
{
    nrx_net_weight *w;
    size_t i, count = 1;
    for (i = 0; i < (size_t)ndim; i++) if (!nrxi_mul_ok(count, shape[i], &count)) count = (size_t)-1;
    if (count > NRX_MAX_ELEMS || count + c->elements > NRX_MAX_ELEMS) {
        *status = nrxi_fail(&c->env, NRX_E_RANGE,
            "nrx_net_checkpoint_read: more than %zu elements (NRX_MAX_ELEMS)", (size_t)NRX_MAX_ELEMS);
        return NULL;
    }
    if (c->count == c->room) {
        size_t room = c->room ? 2 * c->room : 16;
        w = (nrx_net_weight *)nrxi_realloc(&c->env, c->item, room, sizeof *w);
        if (!w) { *status = nrxi_fail(&c->env, NRX_E_NOMEM, "nrx_net_checkpoint_read: no memory");
            return NULL; }
        c->item = w;
        c->room = room;
    }
    w = c->item + c->count;
    memset(w, 0, sizeof *w);
    w->name = nrxi_net_copy_text(&c->env, name, name_size);
    w->data = (float *)nrxi_alloc(&c->env, count ? count : 1, sizeof(float));
    if (!w->name || !w->data) {
        nrxi_free(&c->env, (void *)(uintptr_t)w->name);
        nrxi_free(&c->env, (void *)(uintptr_t)w->data);
        *status = nrxi_fail(&c->env, NRX_E_NOMEM, "nrx_net_checkpoint_read: no memory for %zu numbers",
            count);
        return NULL;
    }
    for (i = 0; i < (size_t)ndim; i++) w->shape[i] = shape[i];
    w->ndim = ndim;
    w->count = count;
    c->elements += count;
    c->count++;
    return (float *)(uintptr_t)w->data;
}

NRXI_FN nrx_status nrxi_net_checkpoint_meta_add(nrx_net_checkpoint *c, const char *s, size_t n)
{
    if (c->metas == c->meta_room) {
        size_t room = c->meta_room ? 2 * c->meta_room : 8;
        char **m = (char **)nrxi_realloc(&c->env, c->meta, room, sizeof *m);
        if (!m) return nrxi_fail(&c->env, NRX_E_NOMEM, "nrx_net_checkpoint_read: no memory");
        c->meta = m;
        c->meta_room = room;
    }
    c->meta[c->metas] = nrxi_net_copy_text(&c->env, s, n);
    if (!c->meta[c->metas]) return nrxi_fail(&c->env, NRX_E_NOMEM, "nrx_net_checkpoint_read: no memory");
    c->metas++;
    return NRX_OK;
}

/* ---- safetensors: 8 bytes of header size, a JSON object, raw little-endian data ---- */

typedef struct nrxi_net_json { const char *at, *end; } nrxi_net_json;

NRXI_FN void nrxi_net_json_space(nrxi_net_json *j) { while (j->at < j->end && (*j->at == ' '
    || *j->at == '\n' || *j->at == '\t' || *j->at == '\r')) j->at++; }

NRXI_FN int nrxi_net_json_take(nrxi_net_json *j, char c)
{
    nrxi_net_json_space(j);
    if (j->at >= j->end || *j->at != c) return 0;
    j->at++;
    return 1;
}

/* A string without its quotes; escapes other than \" \\ \/ \n are refused, nothing is unescaped. */
NRXI_FN int nrxi_net_json_string(nrxi_net_json *j, const char **s, size_t *n)
{
    if (!nrxi_net_json_take(j, '"')) return 0;
    *s = j->at;
    while (j->at < j->end && *j->at != '"') {
        if (*j->at == '\\') {
            if (j->end - j->at < 2 || !strchr("\"\\/n", j->at[1]) || j->at[1] == 0) return 0;
            j->at++;
        } else if ((unsigned char)*j->at < 0x20) return 0;
        j->at++;
    }
    if (j->at >= j->end) return 0;
    *n = (size_t)(j->at - *s);
    j->at++;
    return 1;
}

NRXI_FN int nrxi_net_json_size(nrxi_net_json *j, size_t *v)
{
    size_t x = 0, digits = 0;
    nrxi_net_json_space(j);
    while (j->at < j->end && *j->at >= '0' && *j->at <= '9') {
        if (!nrxi_mul_ok(x, 10, &x) || !nrxi_add_ok(x, (size_t)(*j->at - '0'), &x)) return 0;
        j->at++;
        digits++;
    }
    *v = x;
    return digits > 0;
}

NRXI_FN int nrxi_net_same_text(const char *s, size_t n, const char *word) { return strlen(word) == n
    && memcmp(s, word, n) == 0; }

NRXI_FN int nrxi_net_json_list(nrxi_net_json *j, size_t *v, size_t max, size_t *n)
{
    *n = 0;
    if (!nrxi_net_json_take(j, '[')) return 0;
    if (nrxi_net_json_take(j, ']')) return 1;
    do if (*n == max || !nrxi_net_json_size(j, v + (*n)++)) return 0; while (nrxi_net_json_take(j, ','));
    return nrxi_net_json_take(j, ']');
}

/* One tensor's object after its key. */
NRXI_FN nrx_status nrxi_net_safetensors_entry(nrx_net_checkpoint *c, nrxi_net_json *j, const char *name,
    size_t name_size, const unsigned char *data, size_t data_size)
{
    static const struct { const char *name; int elem; } types[] = { {"F32", NRXI_NET_E_F32}, {"F64",
        NRXI_NET_E_F64},
        {"F16", NRXI_NET_E_F16}, {"BF16", NRXI_NET_E_BF16},
        {"I64", NRXI_NET_E_I64}, {"I32", NRXI_NET_E_I32}, {"I16", NRXI_NET_E_I16}, {"I8", NRXI_NET_E_I8},
            {"U8", NRXI_NET_E_U8},
            {"BOOL", NRXI_NET_E_BOOL} };
    const char *key, *type = NULL;
    size_t n, type_size = 0, shape[8], ndim = 0, range[2] = {0, 0}, two = 0, i, count, bytes;
    int elem = -1, seen = 0, ok;
    nrx_status s = NRX_OK;
    float *to;
    if (!nrxi_net_json_take(j, '{')) return NRX_E_FORMAT;
    do {
        if (!nrxi_net_json_string(j, &key, &n) || !nrxi_net_json_take(j, ':')) return NRX_E_FORMAT;
        ok = 0;
        if (nrxi_net_same_text(key, n, "dtype")) ok = nrxi_net_json_string(j, &type, &type_size) ? 1 : 0;
        else if (nrxi_net_same_text(key, n, "shape")) ok = nrxi_net_json_list(j, shape, 8, &ndim) ? 2 : 0;
        else if (nrxi_net_same_text(key, n, "data_offsets")) ok = nrxi_net_json_list(j, range, 2, &two) ? 4
            : 0;
        if (!ok) return NRX_E_FORMAT;
        seen |= ok;
    } while (nrxi_net_json_take(j, ','));
    if (!nrxi_net_json_take(j, '}') || seen != 7 || two != 2) return NRX_E_FORMAT;
    for (i = 0; i < sizeof types / sizeof types[0]; i++) if (nrxi_net_same_text(type, type_size,
        types[i].name)) elem = types[i].elem;
    if (elem < 0) return NRX_E_UNSUPPORTED;
    for (i = 0, count = 1; i < ndim; i++) if (!nrxi_mul_ok(count, shape[i], &count)) return NRX_E_FORMAT;
    if (range[0] > range[1] || range[1] > data_size || !nrxi_mul_ok(count, nrxi_net_elem_size(elem), &bytes)
        || bytes != range[1] - range[0]) return NRX_E_FORMAT;
    to = nrxi_net_checkpoint_add(c, name, name_size, shape, (int)ndim, &s);
    if (!to) return s;
    for (i = 0; i < count; i++) to[i] = nrxi_net_elem(elem, data + range[0] + i * nrxi_net_elem_size(elem));
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_net_read_safetensors(nrx_net_checkpoint *c, const unsigned char *bytes, size_t size)
{
    uint64_t head = nrxi_get_le(bytes, 8);
    nrxi_net_json j;
    const char *key, *value;
    size_t n, m;
    nrx_status s;
    if (head > size - 8) return nrxi_fail(&c->env, NRX_E_FORMAT,
        "nrx_net_checkpoint_read: safetensors header longer than the file");
    j.at = (const char *)bytes + 8;
    j.end = j.at + head;
    if (!nrxi_net_json_take(&j, '{')) return nrxi_fail(&c->env, NRX_E_FORMAT,
        "nrx_net_checkpoint_read: safetensors header is not an object");
    if (nrxi_net_json_take(&j, '}')) return NRX_OK;
    do {
        char shown[48];
        if (!nrxi_net_json_string(&j, &key, &n) || !nrxi_net_json_take(&j, ':')) return nrxi_fail(&c->env,
            NRX_E_FORMAT, "nrx_net_checkpoint_read: safetensors header is malformed");
        if (nrxi_net_same_text(key, n, "__metadata__")) {
            if (!nrxi_net_json_take(&j, '{')) return nrxi_fail(&c->env, NRX_E_FORMAT,
                "nrx_net_checkpoint_read: safetensors metadata is malformed");
            if (nrxi_net_json_take(&j, '}')) continue;
            do {
                if (!nrxi_net_json_string(&j, &key, &n) || !nrxi_net_json_take(&j, ':')
                    || !nrxi_net_json_string(&j, &value, &m))
                    return nrxi_fail(&c->env, NRX_E_FORMAT,
                        "nrx_net_checkpoint_read: safetensors metadata is malformed");
                s = nrxi_net_checkpoint_meta_add(c, key, n);
                if (s == NRX_OK) s = nrxi_net_checkpoint_meta_add(c, value, m);
                if (s != NRX_OK) return s;
            } while (nrxi_net_json_take(&j, ','));
            if (!nrxi_net_json_take(&j, '}')) return nrxi_fail(&c->env, NRX_E_FORMAT,
                "nrx_net_checkpoint_read: safetensors metadata is malformed");
            continue;
        }
        s = nrxi_net_safetensors_entry(c, &j, key, n, bytes + 8 + head, size - 8 - (size_t)head);
        m = n < sizeof shown - 1 ? n : sizeof shown - 1;
        memcpy(shown, key, m);
        shown[m] = 0;
        if (s != NRX_OK) return nrxi_fail(&c->env, s, "nrx_net_checkpoint_read: safetensors entry '%s': %s",
            shown, nrx_status_string(s));
    } while (nrxi_net_json_take(&j, ','));
    return nrxi_net_json_take(&j, '}') ? NRX_OK : nrxi_fail(&c->env, NRX_E_FORMAT,
        "nrx_net_checkpoint_read: safetensors header is malformed");
}

/* ---- pickle: a stack machine that builds plain values and tensors, nothing else ---- */

enum { NRXI_NET_P_NONE, NRXI_NET_P_MARK, NRXI_NET_P_BOOL, NRXI_NET_P_INT, NRXI_NET_P_FLOAT, NRXI_NET_P_TEXT,
    NRXI_NET_P_LIST
    /* also tuple: chain of cells */, NRXI_NET_P_DICT,
       NRXI_NET_P_GLOBAL, NRXI_NET_P_STORAGE, NRXI_NET_P_TENSOR };
enum { NRXI_NET_G_ORDERED_DICT, NRXI_NET_G_TENSOR, NRXI_NET_G_PARAMETER,
    NRXI_NET_G_STORAGE /* + element format */ };

typedef struct nrxi_net_pvalue { int kind; int64_t i; const char *s; size_t n; } nrxi_net_pvalue;
    /* list, dict: i = container index */
typedef struct nrxi_net_pcell { nrxi_net_pvalue v; size_t next; } nrxi_net_pcell;
/* dict: keys and values alternate */
typedef struct nrxi_net_pbox { size_t head, tail, length; } nrxi_net_pbox;
typedef struct nrxi_net_pstorage { const char *key; size_t key_size, count; int elem;
    const unsigned char *bytes;
    } nrxi_net_pstorage;
typedef struct nrxi_net_ptensor { size_t storage, offset, shape[8], stride[8]; int ndim; } nrxi_net_ptensor;

typedef struct nrxi_net_pickle {
    nrx_env env;
    const unsigned char *at, *end;
    nrxi_net_pvalue *stack, *memo;
    nrxi_net_pcell  *cell;
    nrxi_net_pbox   *box;
    nrxi_net_pstorage *storage;
    nrxi_net_ptensor  *tensor;
    size_t stack_n, stack_room, memo_room, cell_n, cell_room, box_n, box_room, storage_n, storage_room,
        tensor_n,
        tensor_room;
} nrxi_net_pickle;

#define NRXI_NET_NIL ((size_t)-1)

NRXI_FN void nrxi_net_pickle_drop(nrxi_net_pickle *p)
{
    nrxi_free(&p->env, p->stack); nrxi_free(&p->env, p->memo); nrxi_free(&p->env, p->cell);
    nrxi_free(&p->env, p->box); nrxi_free(&p->env, p->storage); nrxi_free(&p->env, p->tensor);
}

/* Makes room for one more element of an array. */
NRXI_FN nrx_status nrxi_net_grow(const nrx_env *env, void **array, size_t n, size_t *room, size_t size)
{
    size_t more = *room ? 2 * *room : 64;
    void *q;
    if (n < *room) return NRX_OK;
    while (more <= n) more *= 2;
    q = nrxi_realloc(env, *array, more, size);
    if (!q) return nrxi_fail(env, NRX_E_NOMEM, "nrx_net_checkpoint_read: no memory");
    *array = q;
    *room = more;
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_net_push(nrxi_net_pickle *p, nrxi_net_pvalue v)
{
    void *a = p->stack;
    nrx_status s = nrxi_net_grow(&p->env, &a, p->stack_n, &p->stack_room, sizeof v);
    p->stack = (nrxi_net_pvalue *)a;
    if (s == NRX_OK) p->stack[p->stack_n++] = v;
    return s;
}

NRXI_FN nrxi_net_pvalue nrxi_net_pvalue_of(int kind, int64_t i)
{
    nrxi_net_pvalue v;
    v.kind = kind;
    v.i = i;
    v.s = NULL;
    v.n = 0;
    return v;
}

NRXI_FN nrx_status nrxi_net_box_new(nrxi_net_pickle *p, int kind, nrxi_net_pvalue *v)
{
    void *a = p->box;
    nrx_status s = nrxi_net_grow(&p->env, &a, p->box_n, &p->box_room, sizeof *p->box);
    p->box = (nrxi_net_pbox *)a;
    if (s != NRX_OK) return s;
    p->box[p->box_n].head = p->box[p->box_n].tail = NRXI_NET_NIL;
    p->box[p->box_n].length = 0;
    *v = nrxi_net_pvalue_of(kind, (int64_t)p->box_n++);
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_net_box_append(nrxi_net_pickle *p, nrxi_net_pvalue box, nrxi_net_pvalue v)
{
    nrxi_net_pbox *b = p->box + box.i;
    void *a = p->cell;
    nrx_status s = nrxi_net_grow(&p->env, &a, p->cell_n, &p->cell_room, sizeof *p->cell);
    p->cell = (nrxi_net_pcell *)a;
    if (s != NRX_OK) return s;
    p->cell[p->cell_n].v = v;
    p->cell[p->cell_n].next = NRXI_NET_NIL;
    if (b->tail == NRXI_NET_NIL) b->head = p->cell_n;
    else p->cell[b->tail].next = p->cell_n;
    b->tail = p->cell_n++;
    b->length++;
    return NRX_OK;
}

/* Cell k of a box as a value; kind NONE when there is none. */
NRXI_FN nrxi_net_pvalue nrxi_net_box_at(const nrxi_net_pickle *p, nrxi_net_pvalue box, size_t k)
{
    size_t c = p->box[box.i].head;
    while (c != NRXI_NET_NIL && k-- > 0) c = p->cell[c].next;
    return c == NRXI_NET_NIL ? nrxi_net_pvalue_of(NRXI_NET_P_NONE, 0) : p->cell[c].v;
}

NRXI_FN nrx_status nrxi_net_pickle_fail(const nrxi_net_pickle *p, const char *what)
{
    return nrxi_fail(&p->env, NRX_E_FORMAT, "nrx_net_checkpoint_read: pickle: %s", what);
}

/* Moves what lies above the last mark into a new box; or, with `into`, appends it there. */
NRXI_FN nrx_status nrxi_net_pop_mark(nrxi_net_pickle *p, nrxi_net_pvalue box)
{
    size_t m = p->stack_n, i;
    while (m > 0 && p->stack[m - 1].kind != NRXI_NET_P_MARK) m--;
    if (m == 0) return nrxi_net_pickle_fail(p, "no mark on the stack");
    for (i = m; i < p->stack_n; i++) {
        nrx_status s = nrxi_net_box_append(p, box, p->stack[i]);
        if (s != NRX_OK) return s;
    }
    p->stack_n = m - 1;
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_net_pickle_global(nrxi_net_pickle *p)
{
    static const struct { const char *name; int elem; } storages[] = { {"FloatStorage", NRXI_NET_E_F32},
        {"DoubleStorage", NRXI_NET_E_F64}, {"HalfStorage", NRXI_NET_E_F16},
        {"BFloat16Storage", NRXI_NET_E_BF16}, {"LongStorage", NRXI_NET_E_I64}, {"IntStorage", NRXI_NET_E_I32},
            {"ShortStorage", NRXI_NET_E_I16}, {"CharStorage", NRXI_NET_E_I8},
        {"ByteStorage", NRXI_NET_E_U8}, {"BoolStorage", NRXI_NET_E_BOOL} };
    const char *module = (const char *)p->at, *name;
    size_t m = 0, n = 0, i;
    char shown[64];
    nrxi_text t;
    while (p->at < p->end && *p->at != '\n') { p->at++; m++; }
    if (p->at++ >= p->end) return nrxi_net_pickle_fail(p, "truncated");
    name = (const char *)p->at;
    while (p->at < p->end && *p->at != '\n') { p->at++; n++; }
    if (p->at++ >= p->end) return nrxi_net_pickle_fail(p, "truncated");
    if (nrxi_net_same_text(module, m, "collections") && nrxi_net_same_text(name, n,
        "OrderedDict")) return nrxi_net_push(p, nrxi_net_pvalue_of(NRXI_NET_P_GLOBAL,
            NRXI_NET_G_ORDERED_DICT));
    if (nrxi_net_same_text(module, m, "torch._utils") && nrxi_net_same_text(name, n,
        "_rebuild_tensor_v2")) return nrxi_net_push(p, nrxi_net_pvalue_of(NRXI_NET_P_GLOBAL,
            NRXI_NET_G_TENSOR));
    if (nrxi_net_same_text(module, m, "torch._utils") && nrxi_net_same_text(name, n,
        "_rebuild_parameter")) return nrxi_net_push(p, nrxi_net_pvalue_of(NRXI_NET_P_GLOBAL,
            NRXI_NET_G_PARAMETER));
    if (nrxi_net_same_text(module, m, "torch"))
        for (i = 0; i < sizeof storages / sizeof storages[0]; i++)
            if (nrxi_net_same_text(name, n, storages[i].name)) return nrxi_net_push(p,
                nrxi_net_pvalue_of(NRXI_NET_P_GLOBAL, NRXI_NET_G_STORAGE + storages[i].elem));
    t.at = shown;
    t.end = shown + sizeof shown - 1;
    for (i = 0; i < m; i++) nrxi_put(&t, module[i] >= 32 && module[i] < 127 ? module[i] : '?');
    nrxi_put(&t, '.');
    for (i = 0; i < n; i++) nrxi_put(&t, name[i] >= 32 && name[i] < 127 ? name[i] : '?');
    *t.at = 0;
    return nrxi_fail(&p->env, NRX_E_UNSUPPORTED,
        "nrx_net_checkpoint_read: pickle wants '%s', which is not on the list of three constructors; nothing was executed", shown);
}

/* ('storage', torch.XStorage, key, location, count): the persistent id of a storage. */
NRXI_FN nrx_status nrxi_net_pickle_storage(nrxi_net_pickle *p)
{
    nrxi_net_pvalue id, type, key, count;
    void *a = p->storage;
    size_t i;
    nrx_status s;
    if (p->stack_n == 0 || p->stack[p->stack_n - 1].kind != NRXI_NET_P_LIST) return nrxi_net_pickle_fail(p,
        "a persistent id is not a tuple");
    id = p->stack[--p->stack_n];
    type = nrxi_net_box_at(p, id, 1);
    key = nrxi_net_box_at(p, id, 2);
    count = nrxi_net_box_at(p, id, 4);
    if (type.kind != NRXI_NET_P_GLOBAL || type.i < NRXI_NET_G_STORAGE || key.kind != NRXI_NET_P_TEXT
        || count.kind != NRXI_NET_P_INT || count.i < 0 || (uint64_t)count.i > NRX_MAX_ELEMS)
        return nrxi_net_pickle_fail(p, "a persistent id is not a storage");
    for (i = 0; i < p->storage_n; i++)
        if (p->storage[i].key_size == key.n && memcmp(p->storage[i].key, key.s,
            key.n) == 0) return nrxi_net_push(p, nrxi_net_pvalue_of(NRXI_NET_P_STORAGE, (int64_t)i));
    s = nrxi_net_grow(&p->env, &a, p->storage_n, &p->storage_room, sizeof *p->storage);
    p->storage = (nrxi_net_pstorage *)a;
    if (s != NRX_OK) return s;
    p->storage[p->storage_n].key = key.s;
    p->storage[p->storage_n].key_size = key.n;
    p->storage[p->storage_n].count = (size_t)count.i;
    p->storage[p->storage_n].elem = (int)(type.i - NRXI_NET_G_STORAGE);
    p->storage[p->storage_n].bytes = NULL;
    return nrxi_net_push(p, nrxi_net_pvalue_of(NRXI_NET_P_STORAGE, (int64_t)p->storage_n++));
}

/* _rebuild_tensor_v2(storage, offset, size, stride, ...) */
NRXI_FN nrx_status nrxi_net_pickle_tensor(nrxi_net_pickle *p, nrxi_net_pvalue args, nrxi_net_pvalue *out)
{
    nrxi_net_pvalue st = nrxi_net_box_at(p, args, 0), off = nrxi_net_box_at(p, args, 1),
        size = nrxi_net_box_at(p, args, 2),
        stride = nrxi_net_box_at(p, args, 3);
    nrxi_net_ptensor *t;
    void *a = p->tensor;
    size_t i, last, n;
    nrx_status s;
    if (st.kind != NRXI_NET_P_STORAGE || off.kind != NRXI_NET_P_INT || off.i < 0
        || size.kind != NRXI_NET_P_LIST || stride.kind != NRXI_NET_P_LIST || p->box[size.i].length > 8
            || p->box[size.i].length != p->box[stride.i].length) return nrxi_net_pickle_fail(p,
                "a tensor has wrong arguments");
    s = nrxi_net_grow(&p->env, &a, p->tensor_n, &p->tensor_room, sizeof *p->tensor);
    p->tensor = (nrxi_net_ptensor *)a;
    if (s != NRX_OK) return s;
    t = p->tensor + p->tensor_n;
    t->storage = (size_t)st.i;
    t->ndim = (int)p->box[size.i].length;
    if ((uint64_t)off.i > NRX_MAX_ELEMS) return nrxi_net_pickle_fail(p, "a tensor lies outside its storage");
    t->offset = last = (size_t)off.i;
    for (i = 0, n = 1; i < (size_t)t->ndim; i++) {
        nrxi_net_pvalue d = nrxi_net_box_at(p, size, i), r = nrxi_net_box_at(p, stride, i);
        size_t reach;
        if (d.kind != NRXI_NET_P_INT || r.kind != NRXI_NET_P_INT || d.i < 0 || r.i < 0
            || (uint64_t)d.i > NRX_MAX_ELEMS || (uint64_t)r.i > NRX_MAX_ELEMS)
            return nrxi_net_pickle_fail(p, "a tensor has a wrong size or stride");
        t->shape[i] = (size_t)d.i;
        t->stride[i] = (size_t)r.i;
        if (!nrxi_mul_ok(n, t->shape[i], &n)) return nrxi_net_pickle_fail(p, "a tensor is too large");
        if (t->shape[i] && (!nrxi_mul_ok(t->shape[i] - 1, t->stride[i], &reach) || !nrxi_add_ok(last, reach,
            &last))) return nrxi_net_pickle_fail(p, "a tensor is too large");
    }
    if (n > 0 && last >= p->storage[t->storage].count) return nrxi_net_pickle_fail(p,
        "a tensor lies outside its storage");
    *out = nrxi_net_pvalue_of(NRXI_NET_P_TENSOR, (int64_t)p->tensor_n++);
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_net_pickle_reduce(nrxi_net_pickle *p)
{
    nrxi_net_pvalue f, args, out;
    nrx_status s;
    if (p->stack_n < 2 || p->stack[p->stack_n - 1].kind != NRXI_NET_P_LIST || p->stack[p->stack_n
        - 2].kind != NRXI_NET_P_GLOBAL) return nrxi_net_pickle_fail(p,
            "REDUCE of something else than a constructor");
    args = p->stack[--p->stack_n];
    f = p->stack[--p->stack_n];
    if (f.i == NRXI_NET_G_ORDERED_DICT) s = nrxi_net_box_new(p, NRXI_NET_P_DICT, &out);
    else if (f.i == NRXI_NET_G_TENSOR) s = nrxi_net_pickle_tensor(p, args, &out);
    else if (f.i == NRXI_NET_G_PARAMETER) {
        out = nrxi_net_box_at(p, args, 0);
        s = out.kind == NRXI_NET_P_TENSOR ? NRX_OK : nrxi_net_pickle_fail(p, "a parameter that is no tensor");
    } else s = nrxi_net_pickle_fail(p, "REDUCE of a storage type");
    return s == NRX_OK ? nrxi_net_push(p, out) : s;
}

NRXI_FN nrx_status nrxi_net_pickle_memo(nrxi_net_pickle *p, size_t k)
{
    void *a = p->memo;
    size_t before = p->memo_room;
    nrx_status s;
    if (p->stack_n == 0 || k > (size_t)(p->end - p->at) + p->cell_n + p->stack_n
        + 100000u) return nrxi_net_pickle_fail(p, "memo index out of range");
    s = nrxi_net_grow(&p->env, &a, k, &p->memo_room, sizeof *p->memo);
    p->memo = (nrxi_net_pvalue *)a;
    if (s != NRX_OK) return s;
    for (; before < p->memo_room; before++) p->memo[before] = nrxi_net_pvalue_of(NRXI_NET_P_MARK, 0);
    p->memo[k] = p->stack[p->stack_n - 1];
    return NRX_OK;
}

/* Runs one pickle to its STOP; *result is the top of the stack then. */
NRXI_FN nrx_status nrxi_net_pickle_run(nrxi_net_pickle *p, nrxi_net_pvalue *result)
{
    p->stack_n = 0;
    while (p->at < p->end) {
        unsigned op = *p->at++;
        nrx_status s = NRX_OK;
        nrxi_net_pvalue v = nrxi_net_pvalue_of(NRXI_NET_P_NONE, 0);
        size_t left = (size_t)(p->end - p->at), k;
#define NRXI_NET_NEED(n) do { if (left < (size_t)(n)) return nrxi_net_pickle_fail(p, "truncated"); } while (0)
        switch (op) {
        case 0x80: NRXI_NET_NEED(1); if (*p->at > 4) return nrxi_net_pickle_fail(p, "protocol above 4");
            p->at++; break;
        case '(': s = nrxi_net_push(p, nrxi_net_pvalue_of(NRXI_NET_P_MARK, 0)); break;
        case 'N': s = nrxi_net_push(p, v); break;
        case 0x88: case 0x89: s = nrxi_net_push(p, nrxi_net_pvalue_of(NRXI_NET_P_BOOL, op == 0x88)); break;
        case 'K': NRXI_NET_NEED(1); s = nrxi_net_push(p, nrxi_net_pvalue_of(NRXI_NET_P_INT, *p->at));
            p->at += 1; break;
        case 'M':
            NRXI_NET_NEED(2);
            s = nrxi_net_push(p, nrxi_net_pvalue_of(NRXI_NET_P_INT, (int64_t)nrxi_get_le(p->at, 2)));
            p->at += 2;
            break;
        case 'J': {
            int64_t i;
            NRXI_NET_NEED(4);
            i = (int64_t)nrxi_get_le(p->at, 4);
            if (i >= ((int64_t)1 << 31)) i -= (int64_t)1 << 32;
            s = nrxi_net_push(p, nrxi_net_pvalue_of(NRXI_NET_P_INT, i));
            p->at += 4;
            break;
        }
        case 0x8a: { /* LONG1 */
            uint64_t u;
            NRXI_NET_NEED(1);
            k = *p->at++;
            left--;
            NRXI_NET_NEED(k);
            /* the magic number of the legacy format: kept as bytes only */
            if (k > 8) v.kind = NRXI_NET_P_FLOAT;
            else {
                u = nrxi_get_le(p->at, (int)k);
                if (k > 0 && k < 8 && p->at[k - 1] & 0x80u) u |= ~(uint64_t)0 << (8 * k);
                memcpy(&v.i, &u, 8);
                v.kind = NRXI_NET_P_INT;
            }
            p->at += k;
            s = nrxi_net_push(p, v);
            break;
        }
        case 'G': NRXI_NET_NEED(8); v.kind = NRXI_NET_P_FLOAT; p->at += 8; s = nrxi_net_push(p, v); break;
        case 'X': case 0x8c:
            k = op == 'X' ? 4 : 1;
            NRXI_NET_NEED(k);
            v.kind = NRXI_NET_P_TEXT;
            v.n = (size_t)nrxi_get_le(p->at, (int)k);
            p->at += k;
            left -= k;
            NRXI_NET_NEED(v.n);
            v.s = (const char *)p->at;
            p->at += v.n;
            s = nrxi_net_push(p, v);
            break;
        case '}': s = nrxi_net_box_new(p, NRXI_NET_P_DICT, &v); if (s == NRX_OK) s = nrxi_net_push(p, v);
            break;
        case ']': case ')': s = nrxi_net_box_new(p, NRXI_NET_P_LIST, &v);
            if (s == NRX_OK) s = nrxi_net_push(p, v);
            break;
        case 't':
            s = nrxi_net_box_new(p, NRXI_NET_P_LIST, &v);
            if (s == NRX_OK) s = nrxi_net_pop_mark(p, v);
            if (s == NRX_OK) s = nrxi_net_push(p, v);
            break;
        case 0x85: case 0x86: case 0x87: {
            size_t n = op - 0x84u, i;
            if (p->stack_n < n) return nrxi_net_pickle_fail(p, "stack underflow");
            s = nrxi_net_box_new(p, NRXI_NET_P_LIST, &v);
            for (i = 0; s == NRX_OK && i < n; i++) s = nrxi_net_box_append(p, v, p->stack[p->stack_n - n
                + i]);
            p->stack_n -= n;
            if (s == NRX_OK) s = nrxi_net_push(p, v);
            break;
        }
        case 'a':
            if (p->stack_n < 2 || p->stack[p->stack_n
                - 2].kind != NRXI_NET_P_LIST) return nrxi_net_pickle_fail(p,
                    "APPEND to something else than a list");
            p->stack_n--;
            s = nrxi_net_box_append(p, p->stack[p->stack_n - 1], p->stack[p->stack_n]);
            break;
        case 's':
            if (p->stack_n < 3 || p->stack[p->stack_n
                - 3].kind != NRXI_NET_P_DICT) return nrxi_net_pickle_fail(p,
                    "SETITEM on something else than a dictionary");
            p->stack_n -= 2;
            s = nrxi_net_box_append(p, p->stack[p->stack_n - 1], p->stack[p->stack_n]);
            if (s == NRX_OK) s = nrxi_net_box_append(p, p->stack[p->stack_n - 1], p->stack[p->stack_n + 1]);
            break;
        case 'e': case 'u': {
            size_t m = p->stack_n;
            while (m > 0 && p->stack[m - 1].kind != NRXI_NET_P_MARK) m--;
            if (m < 2 || p->stack[m - 2].kind != (op == 'e' ? NRXI_NET_P_LIST : NRXI_NET_P_DICT)
                || (op == 'u' && (p->stack_n - m) % 2))
                return nrxi_net_pickle_fail(p, "APPENDS or SETITEMS on the wrong kind of value");
            s = nrxi_net_pop_mark(p, p->stack[m - 2]);
            break;
        }
        case 'c': s = nrxi_net_pickle_global(p); break;
        case 'Q': s = nrxi_net_pickle_storage(p); break;
        case 'R': s = nrxi_net_pickle_reduce(p); break;
        case 'b': /* BUILD: the state (metadata of the dictionary) is dropped */
            if (p->stack_n < 2) return nrxi_net_pickle_fail(p, "stack underflow");
            p->stack_n--;
            break;
        case 'q': NRXI_NET_NEED(1); k = *p->at++; s = nrxi_net_pickle_memo(p, k); break;
        case 'r': NRXI_NET_NEED(4); k = (size_t)nrxi_get_le(p->at, 4); p->at += 4;
            s = nrxi_net_pickle_memo(p, k); break;
        case 'h': case 'j':
            NRXI_NET_NEED(op == 'h' ? 1 : 4);
            k = op == 'h' ? *p->at : (size_t)nrxi_get_le(p->at, 4);
            p->at += op == 'h' ? 1 : 4;
            if (k >= p->memo_room || p->memo[k].kind == NRXI_NET_P_MARK) return nrxi_net_pickle_fail(p,
                "memo entry that was never stored");
            s = nrxi_net_push(p, p->memo[k]);
            break;
        case '.':
            if (p->stack_n == 0 || p->stack[p->stack_n
                - 1].kind == NRXI_NET_P_MARK) return nrxi_net_pickle_fail(p, "nothing on the stack at STOP");
            *result = p->stack[p->stack_n - 1];
            return NRX_OK;
        default:
            return nrxi_fail(&p->env, NRX_E_UNSUPPORTED,
                "nrx_net_checkpoint_read: pickle opcode %d is not among the known ones; nothing was executed", (int)op);
        }
        if (s != NRX_OK) return s;
    }
    return nrxi_net_pickle_fail(p, "no STOP");
}

/* Copies a tensor through its strides. */
NRXI_FN nrx_status nrxi_net_pickle_give(nrxi_net_pickle *p, nrx_net_checkpoint *c, const nrxi_net_ptensor *t,
    const char *name, size_t name_size)
{
    const nrxi_net_pstorage *st = p->storage + t->storage;
    size_t index[8] = {0, 0, 0, 0, 0, 0, 0, 0}, size = nrxi_net_elem_size(st->elem), at = t->offset, i, count;
    nrx_status s = NRX_OK;
    float *to;
    int k;
    if (!st->bytes) return nrxi_net_pickle_fail(p, "a storage is missing from the archive");
    to = nrxi_net_checkpoint_add(c, name, name_size, t->shape, t->ndim, &s);
    if (!to) return s;
    count = c->item[c->count - 1].count;
    for (i = 0; i < count; i++) {
        to[i] = nrxi_net_elem(st->elem, st->bytes + at * size);
        for (k = t->ndim - 1; k >= 0; k--) {
            at += t->stride[k];
            if (++index[k] < t->shape[k]) break;
            at -= t->stride[k] * t->shape[k];
            index[k] = 0;
        }
    }
    return NRX_OK;
}

/* Walks dictionaries and lists; names are joined with dots. *budget bounds the work on shared or cyclic
   containers. */
NRXI_FN nrx_status nrxi_net_pickle_walk(nrxi_net_pickle *p, nrx_net_checkpoint *c, nrxi_net_pvalue v,
    char *name, size_t length, size_t size, int depth, size_t *budget)
{
    size_t cell, k = 0;
    if (v.kind == NRXI_NET_P_TENSOR) return nrxi_net_pickle_give(p, c, p->tensor + v.i, name, length);
    if (v.kind != NRXI_NET_P_LIST && v.kind != NRXI_NET_P_DICT) return NRX_OK;
    if (depth > 16) return nrxi_net_pickle_fail(p, "containers nested deeper than 16");
    for (cell = p->box[v.i].head; cell != NRXI_NET_NIL; k++) {
        nrxi_text t;
        size_t n;
        nrx_status s;
        nrxi_net_pvalue item;
        if ((*budget)-- == 0) return nrxi_net_pickle_fail(p, "containers with too many entries");
        t.at = name + length;
        t.end = name + size - 1;
        if (length) nrxi_put(&t, '.');
        if (v.kind == NRXI_NET_P_DICT) {
            nrxi_net_pvalue key = p->cell[cell].v;
            if (key.kind == NRXI_NET_P_TEXT) for (n = 0; n < key.n; n++) nrxi_put(&t, key.s[n] >= 32
                && key.s[n] < 127 ? key.s[n] : '?');
            else if (key.kind == NRXI_NET_P_INT) nrxi_put_signed(&t, key.i);
            cell = p->cell[cell].next;
            if (cell == NRXI_NET_NIL) break;
        } else nrxi_put_unsigned(&t, k);
        item = p->cell[cell].v;
        cell = p->cell[cell].next;
        s = nrxi_net_pickle_walk(p, c, item, name, (size_t)(t.at - name), size, depth + 1, budget);
        if (s != NRX_OK) return s;
    }
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_net_pickle_collect(nrxi_net_pickle *p, nrx_net_checkpoint *c, nrxi_net_pvalue top)
{
    char name[300];
    size_t budget = 1000000u;
    return nrxi_net_pickle_walk(p, c, top, name, 0, sizeof name, 0, &budget);
}

/* PyTorch's zip: <root>/data.pkl and <root>/data/<key>, all stored. Also .npz when no data.pkl is there. */
NRXI_FN nrx_status nrxi_net_read_zip(nrx_net_checkpoint *c, const unsigned char *bytes, size_t size)
{
    nrxi_npz_entry e, pkl;
    nrxi_net_pickle p;
    nrxi_net_pvalue top;
    nrx_status s = NRX_OK;
    size_t i, k, root = 0, entries, end;
    int found = 0;
    if (size < 22) return nrxi_fail(&c->env, NRX_E_FORMAT, "nrx_net_checkpoint_read: zip archive without an end");
    for (end = size - 22; memcmp(bytes + end, "PK\005\006", 4) != 0; end--)
        if (end == 0 || size - end > 22 + 65535) return nrxi_fail(&c->env, NRX_E_FORMAT,
            "nrx_net_checkpoint_read: zip archive without an end record (truncated?)");
    entries = (size_t)nrxi_get_le(bytes + end + 10, 2);
    for (i = 0; i < entries && !found; i++) {
        s = nrxi_npz_find(bytes, size, i, NULL, &e, "checkpoint", &c->env);
        if (s != NRX_OK) return s;
        for (k = 0; k < e.name_size; k++)
            if (e.name[k] == '/' && nrxi_net_same_text(e.name + k + 1, e.name_size - k - 1, "data.pkl")) {
                found = 1; root = k + 1; pkl = e; break; }
    }
    if (!found) { /* .npz */
        for (i = 0; i < entries; i++) {
            void *data;
            size_t shape[NRXI_NPY_NDIM], n;
            int ndim = 0;
            float *to;
            s = nrxi_npz_find(bytes, size, i, NULL, &e, "checkpoint", &c->env);
            if (s == NRX_OK) s = nrxi_npy_decode(e.bytes, e.n, NRX_F32, &data, shape, &ndim, "checkpoint",
                &c->env);
            if (s != NRX_OK) return s;
            n = e.name_size > 4 && memcmp(e.name + e.name_size - 4, ".npy", 4) == 0 ? e.name_size - 4
                : e.name_size;
            to = nrxi_net_checkpoint_add(c, e.name, n, shape, ndim, &s);
            if (to) memcpy(to, data, c->item[c->count - 1].count * sizeof *to);
            nrxi_free(&c->env, data);
            if (!to) return s;
        }
        return NRX_OK;
    }
    memset(&p, 0, sizeof p);
    p.env = c->env;
    p.at = pkl.bytes;
    p.end = pkl.bytes + pkl.n;
    s = nrxi_net_pickle_run(&p, &top);
    for (i = 0; s == NRX_OK && i < entries; i++) { /* hand the data entries to their storages */
        s = nrxi_npz_find(bytes, size, i, NULL, &e, "checkpoint", &c->env);
        if (s != NRX_OK || e.name_size <= root + 5 || memcmp(e.name, pkl.name, root) != 0
            || memcmp(e.name + root, "data/", 5) != 0) continue;
        for (k = 0; k < p.storage_n; k++) {
            nrxi_net_pstorage *st = p.storage + k;
            if (st->key_size != e.name_size - root - 5 || memcmp(st->key, e.name + root + 5,
                st->key_size) != 0) continue;
            if (e.n / nrxi_net_elem_size(st->elem) < st->count) s = nrxi_net_pickle_fail(&p,
                "a storage is shorter than the pickle says");
            else st->bytes = e.bytes;
        }
    }
    if (s == NRX_OK) s = nrxi_net_pickle_collect(&p, c, top);
    nrxi_net_pickle_drop(&p);
    return s;
}

/* The stream of before 2020: pickles of magic, protocol 1001, system, the state and the list of storage keys;
   then per key an int64 count and the raw elements. */
NRXI_FN nrx_status nrxi_net_read_legacy(nrx_net_checkpoint *c, const unsigned char *bytes, size_t size)
{
    nrxi_net_pickle p;
    nrxi_net_pvalue v = nrxi_net_pvalue_of(NRXI_NET_P_NONE, 0), state = v, keys = v;
    nrx_status s = NRX_OK;
    size_t i, k, cell;
    memset(&p, 0, sizeof p);
    p.env = c->env;
    p.at = bytes;
    p.end = bytes + size;
    for (i = 0; s == NRX_OK && i < 5; i++) {
        s = nrxi_net_pickle_run(&p, &v);
        if (i == 1 && s == NRX_OK && (v.kind != NRXI_NET_P_INT || v.i != 1001)) s = nrxi_net_pickle_fail(&p,
            "legacy protocol is not 1001");
        if (i == 3) state = v;
        if (i == 4) keys = v;
    }
    if (s == NRX_OK && keys.kind != NRXI_NET_P_LIST) s = nrxi_net_pickle_fail(&p,
        "the list of storages is missing");
    for (cell = s == NRX_OK ? p.box[keys.i].head : NRXI_NET_NIL; s == NRX_OK && cell != NRXI_NET_NIL; cell
        = p.cell[cell].next) {
        nrxi_net_pvalue key = p.cell[cell].v;
        uint64_t count;
        for (k = 0; k < p.storage_n; k++) if (key.kind == NRXI_NET_P_TEXT && p.storage[k].key_size == key.n
            && memcmp(p.storage[k].key, key.s, key.n) == 0) break;
        if (k == p.storage_n) { s = nrxi_net_pickle_fail(&p, "data of an unknown storage"); break; }
        if ((size_t)(p.end - p.at) < 8) { s = nrxi_net_pickle_fail(&p, "truncated storage"); break; }
        count = nrxi_get_le(p.at, 8);
        p.at += 8;
        if (count > (size_t)(p.end - p.at) / nrxi_net_elem_size(p.storage[k].elem)
            || count < p.storage[k].count) { s = nrxi_net_pickle_fail(&p, "truncated storage"); break; }
        p.storage[k].bytes = p.at;
        p.at += (size_t)count * nrxi_net_elem_size(p.storage[k].elem);
    }
    if (s == NRX_OK) s = nrxi_net_pickle_collect(&p, c, state);
    nrxi_net_pickle_drop(&p);
    return s;
}

NRX_DEF nrx_status nrx_net_checkpoint_read(const void *bytes, size_t size, const nrx_env *env,
    nrx_net_checkpoint **checkpoint)
{
    static const unsigned char legacy[14] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20,
        0x6a, 0xa8,
        0x50, 0x19};
    const unsigned char *b = (const unsigned char *)bytes;
    nrx_net_checkpoint *c;
    nrx_status s;
    if (!checkpoint || !bytes) return nrxi_fail(env, NRX_E_ARG, "nrx_net_checkpoint_read: %s is NULL", bytes
        ? "checkpoint" : "bytes");
    *checkpoint = NULL;
    c = (nrx_net_checkpoint *)nrxi_calloc(env, 1, sizeof *c);
    if (!c) return nrxi_fail(env, NRX_E_NOMEM, "nrx_net_checkpoint_read: no memory");
    if (env) c->env = *env;
    if (size >= 4 && memcmp(b, "PK\003\004", 4) == 0) s = nrxi_net_read_zip(c, b, size);
    else if (size >= 14 && memcmp(b, legacy, 14) == 0) s = nrxi_net_read_legacy(c, b, size);
    else if (size >= 10 && b[8] == '{') s = nrxi_net_read_safetensors(c, b, size);
    else s = nrxi_fail(env, NRX_E_FORMAT,
        "nrx_net_checkpoint_read: neither safetensors nor a PyTorch archive nor .npz (%zu bytes)", size);
    if (s != NRX_OK) { nrx_net_checkpoint_free(c); return s; }
    *checkpoint = c;
    return NRX_OK;
}

/* ---- networks from checkpoints ---- */

NRX_DEF nrx_status nrx_net_load_weights(nrx_net *net, const nrx_net_checkpoint *c, const char *prefix)
{
    size_t i, k;
    int pass;
    if (!net || !c) return nrxi_fail(net ? &net->env : NULL, NRX_E_ARG, "nrx_net_load_weights: %s is NULL",
        net ? "checkpoint" : "net");
    for (pass = 0; pass < 2; pass++) /* everything is checked before the first write */
        for (i = 0; i < net->params; i++) {
            nrxi_net_param *q = net->param + i;
            const nrx_net_weight *w;
            char name[200];
            nrxi_text t;
            t.at = name;
            t.end = name + sizeof name - 1;
            nrxi_put_string(&t, prefix ? prefix : "");
            nrxi_put_string(&t, q->name);
            *t.at = 0;
            w = nrx_net_checkpoint_find(c, name);
            if (pass) { memcpy(net->theta + q->offset, w->data, w->count * sizeof(float)); continue; }
            if (!w) return nrxi_fail(&net->env, NRX_E_FORMAT, "nrx_net_load_weights: key '%s' is missing",
                name);
            if (w->count != q->rows * q->cols)
                return nrxi_fail(&net->env, NRX_E_SHAPE,
                    "nrx_net_load_weights: key '%s' has %zu numbers, expected %zu x %zu", name, w->count,
                        q->rows, q->cols);
            for (k = 0; k < (size_t)w->ndim && k < 4 && w->ndim == q->ndim; k++)
                if (w->shape[k] != q->shape[k]) return nrxi_fail(&net->env, NRX_E_SHAPE,
                    "nrx_net_load_weights: key '%s' has size %zu in dimension %zu, expected %zu", name,
                        w->shape[k], k, q->shape[k]);
            for (k = 0; k < w->count; k++)
                if (!nrxi_finite_f32(w->data + k)) return nrxi_fail(&net->env, NRX_E_NUMERIC,
                    "nrx_net_load_weights: key '%s' holds %g at %zu", name, (double)w->data[k], k);
        }
    return NRX_OK;
}

/* The graph as text: per layer its numbers, blank separated, doubles as the hexadecimal of their bits; layers
   end with ';'. */
NRXI_FN void nrxi_net_put_bits(nrxi_text *t, double v)
{
    uint64_t u;
    int i;
    memcpy(&u, &v, 8);
    for (i = 60; i >= 0; i -= 4) nrxi_put(t, "0123456789abcdef"[u >> i & 15u]);
    nrxi_put(t, ' ');
}

NRXI_FN void nrxi_net_put_number(nrxi_text *t, size_t v) { nrxi_put_unsigned(t, v); nrxi_put(t, ' '); }

NRXI_FN void nrxi_net_put_graph(const nrx_net *net, nrxi_text *t)
{
    size_t i;
    nrxi_net_put_number(t, net->layer[0].channels);
    nrxi_net_put_number(t, (size_t)nrxi_net_out(net));
    nrxi_net_put_bits(t, net->user_weight);
    nrxi_net_put_bits(t, net->user_scale);
    nrxi_put(t, ';');
    for (i = 1; i < net->layers; i++) {
        const nrxi_net_layer *l = net->layer + i;
        const nrxi_net_param *q = l->param[0] >= 0 ? net->param + l->param[0] : NULL;
        size_t numbers[18], k;
        nrxi_put_string(t, l->name);
        nrxi_put(t, ' ');
        numbers[0] = (size_t)l->kind;
        numbers[1] = (size_t)l->in[0];
        numbers[2] = (size_t)(l->in[1] + 1);
        numbers[3] = l->channels;
        numbers[4] = l->kh;
        numbers[5] = l->kw;
        numbers[6] = l->stride;
        numbers[7] = l->dilation;
        numbers[8] = l->groups;
        numbers[9] = l->pad_y;
        numbers[10] = l->pad_x;
        numbers[11] = l->out_pad;
        numbers[12] = (size_t)l->padding;
        numbers[13] = (size_t)l->act;
        numbers[14] = l->kind == NRXI_NET_SPLINE ? l->knots : l->first;
        numbers[15] = (size_t)l->adjoint;
        numbers[16] = q ? (size_t)(q->transform ? q->transform : q->constraint) : 0;
        numbers[17] = (size_t)(l->param[1] >= 0);
        for (k = 0; k < 18; k++) nrxi_net_put_number(t, numbers[k]);
        nrxi_net_put_bits(t, l->a);
        nrxi_net_put_bits(t, l->b);
        nrxi_net_put_bits(t, q ? q->rate : 1);
        nrxi_put(t, ';');
    }
}

NRXI_FN int nrxi_net_get_number(const char **s, size_t *v)
{
    nrxi_net_json j;
    j.at = *s;
    j.end = *s + strlen(*s);
    if (!nrxi_net_json_size(&j, v)) return 0;
    *s = j.at;
    return 1;
}

NRXI_FN int nrxi_net_get_bits(const char **s, double *v)
{
    uint64_t u = 0;
    int i;
    while (**s == ' ') ++*s;
    for (i = 0; i < 16; i++, ++*s) {
        char ch = **s;
        int d = ch >= '0' && ch <= '9' ? ch - '0' : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
        if (d < 0) return 0;
        u = u << 4 | (uint64_t)d;
    }
    memcpy(v, &u, 8);
    return nrxi_finite_f64(v);
}

/* Rebuilds one layer through the builders, which check everything again. */
NRXI_FN int nrxi_net_build_from(nrx_net *net, const char *name, const size_t *v, double a, double b,
    double rate)
{
    nrx_net_conv_desc c = NRX_ZERO;
    nrx_net_dense_desc d = NRX_ZERO;
    int in0 = (int)v[1], in1 = (int)v[2] - 1, node = -1;
    switch ((int)v[0]) {
    case NRXI_NET_CONV: case NRXI_NET_CONVT:
        c.channels = v[3];
        c.kernel_height = v[4];
        c.kernel = v[5];
        c.stride = v[6];
        c.dilation = v[7];
        c.groups = v[8];
        c.output_padding = v[11];
        c.padding = (int)v[12];
        c.weights = (int)v[16];
        c.no_bias = !v[17];
        c.name = name;
        c.learning_rate = rate;
        c.init = 1;
        if (v[9] > 65536 || v[10] > 65536) return -1;
        node = v[0] == NRXI_NET_CONV ? nrx_net_conv2d(net, in0, &c) : nrx_net_conv_transpose2d(net, in0, &c);
        if (node >= 0) { net->layer[node].pad_y = v[9]; net->layer[node].pad_x = v[10]; }
        return node;
    case NRXI_NET_DENSE:
        d.inputs = v[14];
        d.features = v[3];
        d.weights = (int)v[16];
        d.no_bias = !v[17];
        d.name = name;
        d.learning_rate = rate;
        d.init = 1;
        return nrx_net_dense(net, in0, &d);
    case NRXI_NET_ACT: return nrx_net_activation(net, in0, (int)v[13], a, b);
    case NRXI_NET_RIDGE: return nrx_net_ridge(net, in0, a, 0, 0, 0, rate, name);
    case NRXI_NET_SPLINE: return nrx_net_spline(net, in0, v[14], a, (int)v[15], NRX_NET_IDENTITY, 0, name);
    case NRXI_NET_BIAS: return nrx_net_bias(net, in0, name);
    case NRXI_NET_ADD: return nrx_net_add(net, in0, in1, a, b);
    case NRXI_NET_GAIN: return nrx_net_scale_learned(net, in0, (int)v[14], (int)v[16], 1, rate, name);
    case NRXI_NET_MUL: return nrx_net_multiply(net, in0, in1);
    case NRXI_NET_CONCAT: return nrx_net_concat(net, in0, in1);
    case NRXI_NET_GRID: return nrx_net_grid_sample(net, in0, in1);
    case NRXI_NET_SPECTRAL: return nrx_net_spectral_conv2d(net, in0, v[3], v[4], v[5], name);
    case NRXI_NET_SLICE: return nrx_net_slice(net, in0, v[14], v[3]);
    case NRXI_NET_AVGPOOL: return nrx_net_avg_pool(net, in0, v[14]);
    case NRXI_NET_MAXPOOL: return nrx_net_max_pool(net, in0, v[14]);
    case NRXI_NET_SUM: return nrx_net_sum(net, in0);
    case NRXI_NET_MEAN: return nrx_net_mean(net, in0);
    case NRXI_NET_SPATIAL_MEAN: return nrx_net_spatial_mean(net, in0);
    case NRXI_NET_RESIZE: return nrx_net_resize(net, in0, v[14], (int)v[15]);
    case NRXI_NET_GROUPNORM: return nrx_net_group_norm(net, in0, v[8], b, name);
    case NRXI_NET_BATCHNORM: return nrx_net_batch_norm(net, in0, a, name);
    default: return -1;
    }
}

NRXI_FN nrx_status nrxi_net_graph_load(const nrx_net_checkpoint *c, const char *graph, const nrx_env *env,
    nrx_net **net)
{
    nrx_net_desc nd = NRX_ZERO;
    nrx_net *n;
    nrx_status s;
    size_t channels, out, v[18], k;
    double weight, scale, a, b, rate;
    const char *t = graph, *arch;
    if (!nrxi_net_get_number(&t, &channels) || !nrxi_net_get_number(&t, &out) || !nrxi_net_get_bits(&t,
        &weight) || !nrxi_net_get_bits(&t, &scale) || channels == 0 || channels > 65536)
        return nrxi_fail(env, NRX_E_FORMAT, "nrx_net_load: the graph in the metadata is malformed");
    nd.channels = channels;
    if (env) nd.env = *env;
    s = nrx_net_create(&nd, &n);
    if (s != NRX_OK) return s;
    n->user_weight = weight;
    n->user_scale = scale;
    while (*t == ' ') t++;
    while (s == NRX_OK && *t == ';' && t[1] != 0) {
        char name[40];
        size_t len = 0;
        for (t++; *t && *t != ' ' && len < sizeof name - 1; t++) name[len++] = *t;
        name[len] = 0;
        for (k = 0; k < 18; k++) if (!nrxi_net_get_number(&t, v + k) || v[k] > ((size_t)1 << 28)) {
            s = NRX_E_FORMAT; break; }
        if (s == NRX_OK && (!nrxi_net_get_bits(&t, &a) || !nrxi_net_get_bits(&t, &b)
            || !nrxi_net_get_bits(&t, &rate))) s = NRX_E_FORMAT;
        if (s == NRX_OK && nrxi_net_build_from(n, name, v, a, b, rate) < 0) s = n->status != NRX_OK
            ? n->status
            : NRX_E_FORMAT;
        if (n->count > NRX_MAX_ELEMS) s = NRX_E_RANGE;
        while (*t == ' ') t++;
    }
    if (s == NRX_OK && (*t != ';' || out == 0 || out >= n->layers)) s = NRX_E_FORMAT;
    if (s == NRX_OK) n->output = (int)out;
    arch = nrx_net_checkpoint_meta(c, "arch");
    if (arch) nrxi_net_name(n->arch, sizeof n->arch, arch, "", 0);
    if (s != NRX_OK) (void)nrxi_fail(env, s,
        "nrx_net_load: the graph in the metadata is malformed at node %zu", n->layers);
    else s = nrx_net_load_weights(n, c, NULL);
    if (s != NRX_OK) { nrx_net_free(n); return s; }
    *net = n;
    return NRX_OK;
}

/* ---- foreign architectures, recognised by their keys ---- */

/* The tensor whose name is `prefix`, then `suffix`. */
NRXI_FN const nrx_net_weight *nrxi_net_key(const nrx_net_checkpoint *c, const char *prefix,
    const char *suffix)
{
    char name[300];
    nrxi_text t;
    t.at = name;
    t.end = name + sizeof name - 1;
    nrxi_put_string(&t, prefix);
    nrxi_put_string(&t, suffix);
    *t.at = 0;
    return nrx_net_checkpoint_find(c, name);
}

/* Whether some key ends with `suffix`; what stands before it goes to prefix[256]. */
NRXI_FN int nrxi_net_key_prefix(const nrx_net_checkpoint *c, const char *suffix, char *prefix)
{
    size_t i, n = strlen(suffix), m;
    for (i = 0; i < c->count; i++) {
        m = strlen(c->item[i].name);
        if (m < n || m - n > 255 || strcmp(c->item[i].name + m - n, suffix) != 0) continue;
        memcpy(prefix, c->item[i].name, m - n);
        prefix[m - n] = 0;
        return 1;
    }
    return 0;
}

/* The tensor, checked: ndim sizes, 0 = any; NULL and a line when it is missing, has another shape or is not
   finite. */
NRXI_FN const nrx_net_weight *nrxi_net_expect(const nrx_net_checkpoint *c, const char *prefix,
    const char *suffix, size_t count, int ndim, nrx_status *s)
{
    const nrx_net_weight *w = nrxi_net_key(c, prefix, suffix);
    size_t i;
    if (!w) { *s = nrxi_fail(&c->env, NRX_E_FORMAT, "nrx_net_load: key '%s%s' is missing", prefix, suffix);
        return NULL; }
    if ((ndim >= 0 && w->ndim != ndim) || (count && w->count != count) || w->count == 0) {
        *s = nrxi_fail(&c->env, NRX_E_SHAPE,
            "nrx_net_load: key '%s%s' has %d dimensions and %zu numbers, expected %d and %zu", prefix,
                suffix, w->ndim, w->count, ndim, count);
        return NULL;
    }
    for (i = 0; i < w->count; i++)
        if (!nrxi_finite_f32(w->data + i)) {
            *s = nrxi_fail(&c->env, NRX_E_NUMERIC, "nrx_net_load: key '%s%s' holds %g at %zu", prefix,
                suffix, (double)w->data[i], i);
            return NULL;
        }
    return w;
}

/* The same for the key `before`, number, `after`; NULL when an earlier one failed. Without s it is only looked
   for. */
NRXI_FN const nrx_net_weight *nrxi_net_expect_at(const nrx_net_checkpoint *c, const char *prefix,
    const char *before, size_t number, const char *after, size_t count, int ndim, nrx_status *s)
{
    char key[96];
    nrxi_text t;
    t.at = key; t.end = key + sizeof key - 1;
    nrxi_put_string(&t, before);
    nrxi_put_unsigned(&t, number);
    nrxi_put_string(&t, after);
    *t.at = 0;
    if (!s) return nrxi_net_key(c, prefix, key);
    return *s == NRX_OK ? nrxi_net_expect(c, prefix, key, count, ndim, s) : NULL;
}

/* A convolution node from a checkpoint's kernel [co][ci][k][k]. */
NRXI_FN int nrxi_net_load_conv(nrx_net *n, int input, const nrx_net_weight *w, const nrx_net_weight *bias,
    int padding, int weights, const char *name)
{
    nrx_net_conv_desc d = NRX_ZERO;
    nrxi_net_layer *l;
    int node;
    if (!w || input < 0) return -1;
    if (w->ndim != 4 || w->shape[2] > 64 || w->shape[3] > 64 || w->shape[1] != n->layer[input].channels
        || (bias && bias->count != w->shape[0]))
        return NRXI_NET_BUILD_FAIL(n, NRX_E_SHAPE,
            "nrx_net_load: key '%s' is no kernel for %zu input channels", w->name, n->layer[input].channels);
    d.channels = w->shape[0]; d.kernel_height = w->shape[2]; d.kernel = w->shape[3];
    d.padding = padding; d.no_bias = bias == NULL; d.weights = weights; d.name = name; d.init = 1;
    node = nrx_net_conv2d(n, input, &d);
    if (node < 0) return -1;
    l = n->layer + node;
    memcpy(n->theta + n->param[l->param[0]].offset, w->data, w->count * sizeof(float));
    if (bias) memcpy(n->theta + n->param[l->param[1]].offset, bias->data, bias->count * sizeof(float));
    return node;
}

/* Largest |sum over channels of filter spectra|^2 on a 256 x 256 grid, of the composed kernel of a chain of
   convolutions from one channel: what the published code divides by. kernel [channels][size][size]. */
NRXI_FN double nrxi_net_composed_norm2(const nrx_env *env, const float *kernel, size_t channels, size_t size,
    nrx_status *s)
{
    size_t m = 2 * size - 1, c, y, x, u, v, fy, fx;
    double best = 0, *r = (double *)nrxi_calloc(env, m * m + 2 * m, sizeof *r), *col = r + m * m;
    if (!r) { *s = NRX_E_NOMEM; return 1; }
    for (c = 0; c < channels; c++) { /* summed autocorrelation */
        const float *k = kernel + c * size * size;
        for (y = 0; y < size; y++) for (x = 0; x < size; x++)
            for (u = 0; u < size; u++) for (v = 0; v < size; v++)
                r[(y + size - 1 - u) * m + x + size - 1 - v] += (double)k[y * size + x] * (double)k[u * size
                    + v];
    }
    for (fy = 0; fy <= 128; fy++) {
        for (x = 0; x < m; x++) {
            col[2 * x] = col[2 * x + 1] = 0;
            for (y = 0; y < m; y++) {
                double a = 2 * NRX_PI * (double)fy * ((double)y - (double)(size - 1)) / 256;
                col[2 * x] += r[y * m + x] * cos(a);
                col[2 * x + 1] -= r[y * m + x] * sin(a);
            }
        }
        for (fx = 0; fx < 256; fx++) {
            double sum = 0;
            for (x = 0; x < m; x++) {
                double a = 2 * NRX_PI * (double)fx * ((double)x - (double)(size - 1)) / 256;
                sum += col[2 * x] * cos(a) + col[2 * x + 1] * sin(a);
            }
            if (sum > best) best = sum;
        }
    }
    nrxi_free(env, r);
    return best;
}

/* CRR and WCRR of the comparative study (arXiv 2510.01755): three convolutions normalised to norm one, then
   e^{-2s} (e^{-b} h(e^b e^s t) - rho h(e^s t)). */
NRXI_FN nrx_status nrxi_net_load_ridge(const nrx_net_checkpoint *c, const char *prefix, int weak,
    int padding, nrx_net **net)
{
    nrx_net_desc nd = NRX_ZERO;
    nrx_net *n;
    nrx_status s = NRX_OK;
    const nrx_net_weight *w[3], *scaling, *beta;
    size_t i, o, in, mid, y, x, u, v, size = 1, ch = 1, k;
    float *kernel = NULL, *next;
    double norm;
    int node = 0;
    w[0] = nrxi_net_expect(c, prefix, "filters.0.parametrizations.weight.original", 0, 4, &s);
    w[1] = s == NRX_OK ? nrxi_net_expect(c, prefix, "filters.1.weight", 0, 4, &s) : NULL;
    w[2] = s == NRX_OK ? nrxi_net_expect(c, prefix, "filters.2.weight", 0, 4, &s) : NULL;
    scaling = s == NRX_OK ? nrxi_net_expect(c, prefix, "scaling", w[2]->shape[0], -1, &s) : NULL;
    beta = s == NRX_OK ? nrxi_net_expect(c, prefix, "beta", 1, -1, &s) : NULL;
    if (s != NRX_OK) return s;
    nd.env = c->env;
    s = nrx_net_create(&nd, &n);
    if (s != NRX_OK) return s;
    for (i = 0; i < 3; i++) node = nrxi_net_load_conv(n, node, w[i], NULL, padding, i ? NRX_NET_W_FREE
        : NRX_NET_W_ZERO_MEAN, i == 0 ? "filters0" : i == 1 ? "filters1" : "filters2");
    for (i = 0; node >= 0 && i < 3; i++) { /* the composed kernel */
        size_t kk = w[i]->shape[2], grown = size + kk - 1;
        if (w[i]->shape[2] != w[i]->shape[3]) { node = -1; n->status = nrxi_fail(&c->env, NRX_E_SHAPE,
            "nrx_net_load: key '%s' is not square", w[i]->name); break; }
        next = (float *)nrxi_calloc(&c->env, w[i]->shape[0] * grown * grown, sizeof *next);
        if (!next) { node = -1; n->status = NRX_E_NOMEM; break; }
        for (o = 0; o < w[i]->shape[0]; o++)
            for (in = 0; in < ch; in++) {
                const float *q = w[i]->data + (o * ch + in) * kk * kk;
                double mean = 0;
                if (i == 0) { for (mid = 0; mid < kk * kk; mid++) mean += (double)q[mid];
                    mean /= (double)(kk * kk); }
                for (y = 0; y < kk; y++) for (x = 0; x < kk; x++)
                    for (u = 0; u < size; u++) for (v = 0; v < size; v++)
                        next[(o * grown + y + u) * grown + x + v] += (q[y * kk + x] - (float)mean) * (kernel
                            ? kernel[(in * size + u) * size + v] : 1.0f);
            }
        nrxi_free(&c->env, kernel);
        kernel = next;
        size = grown;
        ch = w[i]->shape[0];
    }
    if (node >= 0) {
        norm = sqrt(nrxi_net_composed_norm2(&c->env, kernel, ch, size, &n->status));
        if (norm > 0) for (k = 0; k < w[0]->count; k++) n->theta[n->param[n->layer[1].param[0]].offset + k]
            = (float)((double)w[0]->data[k] / norm);
        node = nrx_net_ridge(n, node, weak ? 1 : 0, 0, (double)beta->data[0], 0, 0, "profile");
    }
    nrxi_free(&c->env, kernel);
    if (node >= 0) memcpy(n->theta + n->param[n->layer[node].param[0]].offset, scaling->data,
        scaling->count * sizeof(float));
    return nrxi_net_done(n, nrx_net_sum(n, node), weak ? "wcrr" : "crr", net);
}

/* One two-layer ICNN of the study: sum_c e^{s_c} act(wz act(wx x)), act the smoothed ReLU of width
   e^{smoothing}. */
NRXI_FN int nrxi_net_load_icnn2(const nrx_net_checkpoint *c, const char *prefix, int padding, nrx_net *n,
    const char *names[3])
{
    nrx_status s = NRX_OK;
    const nrx_net_weight *wx = nrxi_net_expect(c, prefix, "wx.parametrizations.weight.original", 0, 4, &s),
        *bx, *wz,
        *bz, *scale, *smooth;
    double eps;
    int z;
    bx = s == NRX_OK ? nrxi_net_expect(c, prefix, "wx.bias", wx->shape[0], 1, &s) : NULL;
    wz = s == NRX_OK ? nrxi_net_expect(c, prefix, "wz.weight", 0, 4, &s) : NULL;
    bz = s == NRX_OK ? nrxi_net_expect(c, prefix, "wz.bias", wz->shape[0], 1, &s) : NULL;
    scale = s == NRX_OK ? nrxi_net_expect(c, prefix, "scaling", wz->shape[0], -1, &s) : NULL;
    smooth = s == NRX_OK && nrxi_net_key(c, prefix, "smoothing") ? nrxi_net_expect(c, prefix, "smoothing", 1,
        -1, &s) : NULL;
    if (s != NRX_OK) { n->status = s; return -1; }
    eps = smooth ? exp((double)smooth->data[0]) : 0.01;
    z = nrx_net_activation(n, nrxi_net_load_conv(n, 0, wx, bx, padding, NRX_NET_W_ZERO_MEAN, names[0]),
        NRX_NET_SMOOTH_RELU, eps, 0);
    z = nrx_net_activation(n, nrxi_net_load_conv(n, z, wz, bz, padding, NRX_NET_W_NONNEGATIVE, names[1]),
        NRX_NET_SMOOTH_RELU, eps, 0);
    z = nrx_net_scale_learned(n, z, 1, NRX_NET_W_EXP, 1, 1, names[2]);
    if (z >= 0) memcpy(n->theta + n->param[n->layer[z].param[0]].offset, scale->data,
        scale->count * sizeof(float));
    return nrx_net_sum(n, z);
}

/* ACR: wz.K.weight (K = 0 ... L-1), wx_quad absent, wx.K.{weight,bias} for K = 0 ... L, final_conv2d.weight,
   leaky ReLU 0.2, mean. */
NRXI_FN nrx_status nrxi_net_load_acr(const nrx_net_checkpoint *c, const char *prefix, int padding,
    nrx_net **net)
{
    nrx_net_desc nd = NRX_ZERO;
    nrx_net *n;
    nrx_status s = nrx_net_create((nd.env = c->env, &nd), &n);
    size_t k;
    int z = -1;
    if (s != NRX_OK) return s;
    for (k = 0; k < 200 && nrxi_net_expect_at(c, prefix, "wx.", k, ".weight", 0, 4, NULL); k++) {
        char name[24];
        const nrx_net_weight *w = nrxi_net_expect_at(c, prefix, "wx.", k, ".weight", 0, 4, &s);
        const nrx_net_weight *b = nrxi_net_expect_at(c, prefix, "wx.", k, ".bias", w ? w->shape[0] : 0, 1, &s);
        int v;
        nrxi_net_name(name, sizeof name, NULL, "wx", k);
        v = s == NRX_OK ? nrxi_net_load_conv(n, 0, w, b, padding, NRX_NET_W_FREE, name) : -1;
        if (k > 0) {
            w = nrxi_net_expect_at(c, prefix, "wz.", k - 1, ".weight", 0, 4, &s);
            nrxi_net_name(name, sizeof name, NULL, "wz", k);
            z = s == NRX_OK ? nrxi_net_load_conv(n, z, w, NULL, padding, NRX_NET_W_NONNEGATIVE, name) : -1;
            z = s == NRX_OK ? nrx_net_add(n, z, v, 1, 1) : -1;
        } else z = v;
        if (s != NRX_OK) break;
        z = nrx_net_activation(n, z, NRX_NET_LEAKY_RELU, 0.2, 0);
    }
    if (s == NRX_OK) {
        const nrx_net_weight *w = nrxi_net_expect(c, prefix, "final_conv2d.weight", 0, 4, &s);
        if (s == NRX_OK) z = nrx_net_mean(n, nrxi_net_load_conv(n, z, w, NULL, padding,
            NRX_NET_W_NONNEGATIVE, "final"));
    }
    if (s != NRX_OK) { nrx_net_free(n); return s; }
    return nrxi_net_done(n, z, "acr", net);
}

/* The local critic (LAR): valid 3 x 3 convolutions at the even numbers of a sequence, SiLU between them, the
   mean over all positions of the image continued by the reach of one patch. */
NRXI_FN nrx_status nrxi_net_load_lar(const nrx_net_checkpoint *c, const char *prefix, nrx_net **net)
{
    nrx_net_desc nd = NRX_ZERO;
    nrx_net *n;
    nrx_status s = nrx_net_create((nd.env = c->env, &nd), &n);
    size_t k, count = 0;
    int z = 0;
    if (s != NRX_OK) return s;
    while (count < 200 && nrxi_net_expect_at(c, prefix, "", 2 * count, ".weight", 0, 4, NULL)) count++;
    for (k = 0; k < count; k++) {
        char name[24];
        const nrx_net_weight *w = nrxi_net_expect_at(c, prefix, "", 2 * k, ".weight", 0, 4, &s);
        const nrx_net_weight *b = nrxi_net_expect_at(c, prefix, "", 2 * k, ".bias", w ? w->shape[0] : 0, 1, &s);
        if (s != NRX_OK) break;
        nrxi_net_name(name, sizeof name, NULL, "conv", k + 1);
        z = nrxi_net_load_conv(n, z, w, b, k ? NRX_NET_PAD_VALID : NRX_NET_PAD_REPLICATE, NRX_NET_W_FREE,
            name);
        if (z >= 0 && k == 0) n->layer[z].pad_y = n->layer[z].pad_x = 2 * count;
        if (k + 1 < count) z = nrx_net_activation(n, z, NRX_NET_SILU, 0, 0);
        else if (w->shape[0] != 1) s = nrxi_fail(&c->env, NRX_E_SHAPE,
            "nrx_net_load: key '%s' has %zu outputs, a critic has one", w->name, w->shape[0]);
    }
    if (s != NRX_OK) { nrx_net_free(n); return s; }
    return nrxi_net_done(n, nrx_net_mean(n, z), "lar", net);
}

/* How many keys begin with `prefix`, the operator scaling left aside. */
NRXI_FN size_t nrxi_net_keys_below(const nrx_net_checkpoint *c, const char *prefix)
{
    size_t i, n = 0;
    for (i = 0; i < c->count; i++)
        n += strncmp(c->item[i].name, prefix, strlen(prefix)) == 0 && strcmp(c->item[i].name, "alpha") != 0
            && strcmp(c->item[i].name, "scale") != 0;
    return n;
}

/* NETT: bK.0 and bK.2 (K = 1, 2, ...), 3 x 3 with CELU(10) after each, and a last convolution; |N(x)|^2. */
NRXI_FN nrx_status nrxi_net_load_nett(const nrx_net_checkpoint *c, const char *prefix, int padding,
    nrx_net **net)
{
    static const char *const weight[2] = {".0.weight", ".2.weight"}, *const bias[2] = {".0.bias", ".2.bias"};
    nrx_net_desc nd = NRX_ZERO;
    nrx_net *n;
    nrx_status s = nrx_net_create((nd.env = c->env, &nd), &n);
    const nrx_net_weight *w, *b;
    size_t k;
    int x = 0, half;
    if (s != NRX_OK) return s;
    for (k = 1; s == NRX_OK && nrxi_net_expect_at(c, prefix, "b", k, weight[0], 0, 4, NULL); k++)
        for (half = 0; half < 2; half++) {
            w = nrxi_net_expect_at(c, prefix, "b", k, weight[half], 0, 4, &s);
            b = nrxi_net_expect_at(c, prefix, "b", k, bias[half], w ? w->shape[0] : 0, 1, &s);
            if (s == NRX_OK) x = nrx_net_activation(n, nrxi_net_load_conv(n, x, w, b, padding, NRX_NET_W_FREE,
                NULL), NRX_NET_CELU, 10, 0);
        }
    if (s == NRX_OK && nrxi_net_keys_below(c, prefix) > 4 * k - 2) s = nrxi_fail(&c->env, NRX_E_FORMAT,
        "nrx_net_load: key '%sb%zu.0.weight' is missing: there are more keys than for %zu blocks", prefix, k,
            k - 1);
    w = s == NRX_OK ? nrxi_net_expect(c, prefix, "final.weight", 0, 4, &s) : NULL;
    b = s == NRX_OK ? nrxi_net_expect(c, prefix, "final.bias", w->shape[0], 1, &s) : NULL;
    if (s != NRX_OK) { nrx_net_free(n); return s; }
    return nrxi_net_done(n, nrx_net_sqnorm(n, nrxi_net_load_conv(n, x, w, b, padding, NRX_NET_W_FREE,
        "final")), "nett", net);
}

/* A convolution of stride 2 by the kernel of a checkpoint smoothed by a second one, or its transpose. */
NRXI_FN int nrxi_net_load_smoothed(nrx_net *n, int input, const nrx_net_weight *w, const nrx_net_weight *blur,
    int transpose)
{
    nrx_net_conv_desc d = NRX_ZERO;
    size_t k = w->shape[2], b = 1, size, f, y, x, u, v;
    float *to;
    int node;
    if (input < 0) return -1;
    while (b * b < blur->count) b++;
    size = k + b - 1;
    if (w->shape[3] != k || b * b != blur->count || size > 64 || size % 2 == 0
        || w->shape[transpose ? 0 : 1] != n->layer[input].channels)
        return NRXI_NET_BUILD_FAIL(n, NRX_E_SHAPE,
            "nrx_net_load: key '%s' is no kernel for %zu input channels and %zu numbers of smoothing", w->name,
                n->layer[input].channels, blur->count);
    d.channels = w->shape[transpose ? 1 : 0]; d.kernel = size; d.stride = 2; d.no_bias = 1; d.init = 1;
    d.output_padding = (size_t)transpose;
    node = transpose ? nrx_net_conv_transpose2d(n, input, &d) : nrx_net_conv2d(n, input, &d);
    if (node < 0) return -1;
    to = n->theta + n->param[n->layer[node].param[0]].offset;
    memset(to, 0, w->shape[0] * w->shape[1] * size * size * sizeof *to);
    for (f = 0; f < w->shape[0] * w->shape[1]; f++)
        for (y = 0; y < k; y++) for (x = 0; x < k; x++)
            for (u = 0; u < b; u++) for (v = 0; v < b; v++) /* correlation with blur, zeros around */
                to[(f * size + y + b - 1 - u) * size + x + b - 1 - v] += w->data[(f * k + y) * k + x]
                    * blur->data[u * b + v];
    return node;
}

/* A kernel of a total deep variation: key mb.<block>.<part><scale><suffix>. */
NRXI_FN const nrx_net_weight *nrxi_net_tdv_key(const nrx_net_checkpoint *c, const char *prefix, size_t block,
    const char *part, size_t scale, const char *suffix, nrx_status *s)
{
    char before[48];
    nrxi_text t;
    t.at = before; t.end = before + sizeof before - 1;
    nrxi_put_string(&t, "mb."); nrxi_put_unsigned(&t, block); nrxi_put_string(&t, part);
    *t.at = 0;
    return nrxi_net_expect_at(c, prefix, before, scale, suffix, 0, 4, s);
}

/* Its smoothed convolution from scale i to i + 1, or back. */
NRXI_FN int nrxi_net_tdv_step(const nrx_net_checkpoint *c, const char *prefix, size_t block, size_t i, int up,
    nrx_net *n, int x, nrx_status *s)
{
    const char *part = up ? ".conv_up." : ".conv_down.";
    const nrx_net_weight *w = nrxi_net_tdv_key(c, prefix, block, part, i, ".weight", s);
    const nrx_net_weight *blur = nrxi_net_tdv_key(c, prefix, block, part, i, ".blur", s);
    return *s == NRX_OK ? nrxi_net_load_smoothed(n, x, w, blur, up) : -1;
}

/* x + conv2(softplus(conv1(x)) - log 2) */
NRXI_FN int nrxi_net_tdv_micro(const nrx_net_checkpoint *c, const char *prefix, size_t block, size_t scale,
    int second, nrx_net *n, int x, nrx_status *s)
{
    const nrx_net_weight *w1 = nrxi_net_tdv_key(c, prefix, block, ".mb.", scale, second ? ".1.conv1.weight"
        : ".0.conv1.weight", s);
    const nrx_net_weight *w2 = nrxi_net_tdv_key(c, prefix, block, ".mb.", scale, second ? ".1.conv2.weight"
        : ".0.conv2.weight", s);
    int y;
    if (*s != NRX_OK) return -1;
    y = nrxi_net_load_conv(n, x, w1, NULL, NRX_NET_PAD_ZERO, NRX_NET_W_FREE, NULL);
    y = nrx_net_activation(n, y, NRX_NET_SOFTPLUS0, 0, 0);
    return nrx_net_add(n, x, nrxi_net_load_conv(n, y, w2, NULL, NRX_NET_PAD_ZERO, NRX_NET_W_FREE, NULL), 1, 1);
}

/* The filters of K1: mean taken off, norm at most one. */
NRXI_FN void nrxi_net_tdv_filters(float *w, size_t filters, size_t size)
{
    size_t f, i;
    for (f = 0; f < filters; f++, w += size) {
        double mean = 0, norm = 0;
        for (i = 0; i < size; i++) mean += (double)w[i] / (double)size;
        for (i = 0; i < size; i++) norm += ((double)w[i] - mean) * ((double)w[i] - mean);
        norm = norm > 1 ? sqrt(norm) : 1;
        for (i = 0; i < size; i++) w[i] = (float)(((double)w[i] - mean) / norm);
    }
}

/* Total deep variation: K1, macro-blocks over scales whose features pass from block to block, KN; the sum of
   squares over twice the number of features. Image sides must be multiples of 2^(scales - 1). */
NRXI_FN nrx_status nrxi_net_load_tdv(const nrx_net_checkpoint *c, const char *prefix, nrx_net **net)
{
    enum { MOST = 12 };
    nrx_net_desc nd = NRX_ZERO;
    nrx_net *n;
    nrx_status s = nrx_net_create((nd.env = c->env, &nd), &n);
    const nrx_net_weight *w;
    size_t scales = 0, b, i;
    int x[MOST], y;
    if (s != NRX_OK) return s;
    while (scales < MOST && nrxi_net_tdv_key(c, prefix, 0, ".mb.", scales, ".0.conv1.weight", NULL)) {
        x[scales++] = -1;
    }
    w = nrxi_net_expect(c, prefix, "K1.weight", 0, 4, &s);
    if (s == NRX_OK && scales == 0) s = nrxi_fail(&c->env, NRX_E_FORMAT,
        "nrx_net_load: key '%smb.0.mb.0.0.conv1.weight' is missing", prefix);
    if (s != NRX_OK) { nrx_net_free(n); return s; }
    x[0] = nrxi_net_load_conv(n, 0, w, NULL, NRX_NET_PAD_ZERO, NRX_NET_W_FREE, "K1");
    if (x[0] >= 0) nrxi_net_tdv_filters(n->theta + n->param[n->layer[x[0]].param[0]].offset, w->shape[0],
        w->count / w->shape[0]);
    for (b = 0; b == 0 || (s == NRX_OK && nrxi_net_tdv_key(c, prefix, b, ".mb.", 0, ".0.conv1.weight", NULL)); b++) {
        for (i = 0; s == NRX_OK && i < scales; i++) {
            x[i] = nrxi_net_tdv_micro(c, prefix, b, i, 0, n, x[i], &s);
            if (i + 1 == scales) break;
            y = nrxi_net_tdv_step(c, prefix, b, i, 0, n, x[i], &s);
            x[i + 1] = b && s == NRX_OK ? nrx_net_add(n, x[i + 1], y, 1, 1) : y;
        }
        for (i = scales - 1; s == NRX_OK && i-- > 0;) {
            y = nrxi_net_tdv_step(c, prefix, b, i, 1, n, x[i + 1], &s);
            if (s == NRX_OK) x[i] = nrxi_net_tdv_micro(c, prefix, b, i, 1, n, nrx_net_add(n, x[i], y, 1, 1), &s);
        }
    }
    if (s == NRX_OK && nrxi_net_keys_below(c, prefix) > 2 + b * (8 * scales - 6)) s = nrxi_fail(&c->env,
        NRX_E_FORMAT, "nrx_net_load: key '%smb.%zu.mb.0.0.conv1.weight' or '%smb.0.mb.%zu.0.conv1.weight' is"
            " missing: there are more keys than for %zu blocks of %zu scales", prefix, b, prefix, scales, b,
            scales);
    w = s == NRX_OK ? nrxi_net_expect(c, prefix, "KN.weight", 0, 4, &s) : NULL;
    if (s != NRX_OK) { nrx_net_free(n); return s; }
    y = nrxi_net_load_conv(n, x[0], w, NULL, NRX_NET_PAD_ZERO, NRX_NET_W_FREE, "KN");
    return nrxi_net_done(n, nrx_net_scale(n, nrx_net_sqnorm(n, y), y < 0 ? 1 : 0.5
        / (double)n->layer[x[0]].channels), "tdv", net);
}

NRXI_FN nrx_status nrxi_net_load_any(const nrx_net_checkpoint *c, const nrx_net_load_desc *d,
    const char *path, nrx_net **net)
{
    const char *first[3], *second[3];
    const char *graph;
    char prefix[272];
    nrx_status s;
    const nrx_net_weight *alpha, *scale;
    nrx_net *n = NULL;
    int weak = d->weakly_convex > 0 || (d->weakly_convex == 0 && path && (strstr(path, "WCRR")
        || strstr(path, "wcrr")));
    if (!c || !net) return nrxi_fail(&d->env, NRX_E_ARG, "nrx_net_load: %s is NULL", c ? "net"
        : "checkpoint");
    first[0] = "wx"; first[1] = "wz"; first[2] = "scale";
    second[0] = "wx_b"; second[1] = "wz_b"; second[2] = "scale_b";
    *net = NULL;
    graph = nrx_net_checkpoint_meta(c, "nrx_graph");
    if (graph) return nrxi_net_graph_load(c, graph, &c->env, net);
    if (nrxi_net_key_prefix(c, "filters.0.parametrizations.weight.original", prefix)) s
        = nrxi_net_load_ridge(c, prefix, weak, d->padding, &n);
    else if (nrxi_net_key_prefix(c, "icnn1.wx.parametrizations.weight.original", prefix)
        || nrxi_net_key_prefix(c, "icnn.wx.parametrizations.weight.original", prefix)) {
        nrx_net_desc nd = NRX_ZERO;
        char part[272];
        int a, b = -1, two = nrxi_net_key_prefix(c, "icnn1.wx.parametrizations.weight.original", prefix);
        nd.env = c->env;
        s = nrx_net_create(&nd, &n);
        if (s != NRX_OK) return s;
        nrxi_net_name(part, sizeof part, prefix, "", 0);
        strcat(part, two ? "icnn1." : "icnn.");
        a = nrxi_net_load_icnn2(c, part, d->padding, n, first);
        if (two && a >= 0) {
            nrxi_net_name(part, sizeof part, prefix, "", 0);
            strcat(part, "icnn2.");
            b = nrxi_net_load_icnn2(c, part, d->padding, n, second);
            a = nrx_net_add(n, a, b, 1, -1);
        }
        s = nrxi_net_done(n, a, two ? "idcnn" : "icnn", &n);
    } else if (nrxi_net_key_prefix(c, "final_conv2d.weight", prefix)) s = nrxi_net_load_acr(c, prefix,
        d->padding, &n);
    else if (nrxi_net_key_prefix(c, "convnet.12.weight", prefix)) {
        strcat(prefix, "convnet.");
        s = nrxi_net_load_lar(c, prefix, &n);
    } else if (nrxi_net_key_prefix(c, "K1.weight", prefix)) s = nrxi_net_load_tdv(c, prefix, &n);
    else if (nrxi_net_key_prefix(c, "b1.0.weight", prefix)) s = nrxi_net_load_nett(c, prefix, d->padding, &n);
    else return nrxi_fail(&c->env, NRX_E_UNSUPPORTED,
        "nrx_net_load: none of the known architectures (first key '%s' of %zu); build the graph and use nrx_net_load_weights", c->count ? c->item[0].name : "", c->count);
    if (s != NRX_OK) return s;
    alpha = nrx_net_checkpoint_find(c, "alpha");
    scale = nrx_net_checkpoint_find(c, "scale");
    if (alpha && scale && alpha->count == 1 && scale->count == 1) nrx_net_set_scaling(n,
        exp((double)alpha->data[0]), exp((double)scale->data[0]));
    *net = n;
    return NRX_OK;
}

NRX_DEF nrx_status nrx_net_load_checkpoint(const nrx_net_checkpoint *checkpoint,
    const nrx_net_load_desc *desc, nrx_net **net)
{
    nrx_net_load_desc d = NRX_ZERO;
    if (desc) d = *desc;
    return nrxi_net_load_any(checkpoint, &d, NULL, net);
}

NRX_DEF void nrx_net_set_scaling(nrx_net *net, double weight, double scale)
{
    if (!net || !(weight > 0) || !(scale > 0) || nrxi_net_is_infinite(weight)
        || nrxi_net_is_infinite(scale)) return;
    net->user_weight = weight;
    net->user_scale = scale;
}

NRX_DEF void nrx_net_scaling(const nrx_net *net, double *weight, double *scale)
{
    if (weight) *weight = net && net->user_weight > 0 ? net->user_weight : 1;
    if (scale) *scale = net && net->user_scale > 0 ? net->user_scale : 1;
}

/* ---- writing ---- */

NRXI_FN void nrxi_net_put_entry(nrxi_text *t, const char *name, const size_t *shape, int ndim, size_t begin,
    size_t end)
{
    int k;
    nrxi_put_string(t, ",\"");
    nrxi_put_string(t, name);
    nrxi_put_string(t, "\":{\"dtype\":\"F32\",\"shape\":[");
    for (k = 0; k < ndim; k++) { if (k) nrxi_put(t, ','); nrxi_put_unsigned(t, shape[k]); }
    nrxi_put_string(t, "],\"data_offsets\":[");
    nrxi_put_unsigned(t, begin);
    nrxi_put(t, ',');
    nrxi_put_unsigned(t, end);
    nrxi_put_string(t, "]}");
}

NRX_DEF nrx_status nrx_net_save_bytes(const nrx_net *net, const float *state, size_t step,
    unsigned char **bytes, size_t *size)
{
    size_t i, room, head, data, numbers;
    unsigned char *out, *at;
    nrxi_text t;
    if (!net || !bytes || !size) return nrxi_fail(net ? &net->env : NULL, NRX_E_ARG,
        "nrx_net_save: %s is NULL", net ? "bytes or size" : "net");
    *bytes = NULL;
    *size = 0;
    if (net->status != NRX_OK) return nrxi_fail(&net->env, net->status,
        "nrx_net_save: a builder of this network failed before");
    room = 600 + net->layers * 700 + net->params * 260;
    numbers = net->count + (state ? 2 * net->count : 0);
    if (!nrxi_mul_ok(numbers, 4, &data)) return nrxi_fail(&net->env, NRX_E_RANGE,
        "nrx_net_save: %zu weights", net->count);
    out = (unsigned char *)nrxi_alloc(&net->env, room + data + 16, 1);
    if (!out) return nrxi_fail(&net->env, NRX_E_NOMEM, "nrx_net_save: no memory for %zu bytes", room + data);
    t.at = (char *)out + 8;
    t.end = t.at + room;
    nrxi_put_string(&t, "{\"__metadata__\":{\"format\":\"pt\",\"arch\":\"");
    nrxi_put_string(&t, net->arch[0] ? net->arch : "net");
    nrxi_put_string(&t, "\",\"step\":\"");
    nrxi_put_unsigned(&t, step);
    for (i = 1; i < net->layers && net->layer[i].kind != NRXI_NET_OPERATOR; i++) {}
    if (i == net->layers) {
        nrxi_put_string(&t, "\",\"nrx_graph\":\"");
        nrxi_net_put_graph(net, &t);
    }
    nrxi_put_string(&t, "\"}");
    for (i = 0; i < net->params; i++) {
        const nrxi_net_param *q = net->param + i;
        nrxi_net_put_entry(&t, q->name, q->shape, q->ndim, q->offset * 4, (q->offset + q->rows * q->cols)
            * 4);
    }
    if (state) {
        nrxi_net_put_entry(&t, "nrx_adam.m", &net->count, 1, net->count * 4, net->count * 8);
        nrxi_net_put_entry(&t, "nrx_adam.v", &net->count, 1, net->count * 8, net->count * 12);
    }
    nrxi_put(&t, '}');
    while ((size_t)(t.at - (char *)out) % 8) nrxi_put(&t, ' ');
    head = (size_t)(t.at - (char *)out) - 8;
    (void)nrxi_put_le(out, head, 8);
    at = out + 8 + head;
    for (i = 0; i < numbers; i++) {
        uint32_t w;
        memcpy(&w, i < net->count ? net->theta + i : state + (i - net->count), 4);
        at = nrxi_put_le(at, w, 4);
    }
    *bytes = out;
    *size = 8 + head + data;
    return NRX_OK;
}

NRX_DEF void nrx_net_free_bytes(const nrx_net *net, unsigned char *bytes) { nrxi_free(net ? &net->env : NULL,
    bytes);
    }

NRX_DEF nrx_status nrx_net_load_state(const nrx_net *net, const nrx_net_checkpoint *c, float *state,
    size_t *step)
{
    const nrx_net_weight *m = nrx_net_checkpoint_find(c, "nrx_adam.m"), *v = nrx_net_checkpoint_find(c,
        "nrx_adam.v");
    const char *text = nrx_net_checkpoint_meta(c, "step");
    if (!net || !state || !step) return nrxi_fail(net ? &net->env : NULL, NRX_E_ARG,
        "nrx_net_load_state: an argument is NULL");
    if (!m || !v || !text || m->count != net->count || v->count != net->count || !nrxi_net_get_number(&text,
        step))
        return nrxi_fail(&net->env, NRX_E_FORMAT,
            "nrx_net_load_state: the checkpoint holds no training state for %zu weights", net->count);
    memcpy(state, m->data, net->count * sizeof *state);
    memcpy(state + net->count, v->data, net->count * sizeof *state);
    return NRX_OK;
}

#ifndef NRX_NO_STDIO
NRX_DEF nrx_status nrx_net_checkpoint_open(const char *path, const nrx_env *env,
    nrx_net_checkpoint **checkpoint)
{
    unsigned char *bytes;
    size_t size;
    nrx_status s;
    if (!path || !checkpoint) return nrxi_fail(env, NRX_E_ARG, "nrx_net_checkpoint_open: %s is NULL", path
        ? "checkpoint" : "path");
    *checkpoint = NULL;
    s = nrxi_file_read(path, &bytes, &size, env);
    if (s != NRX_OK) return s;
    s = nrx_net_checkpoint_read(bytes, size, env, checkpoint);
    nrxi_free(env, bytes);
    return s == NRX_OK ? s : nrxi_fail(env, s, "nrx_net_checkpoint_open: '%s' could not be used", path);
}

NRX_DEF nrx_status nrx_net_load(const char *path, const nrx_net_load_desc *desc, nrx_net **net)
{
    nrx_net_load_desc d = NRX_ZERO;
    nrx_net_checkpoint *c;
    nrx_status s;
    if (desc) d = *desc;
    if (!net) return nrxi_fail(&d.env, NRX_E_ARG, "nrx_net_load: net is NULL");
    *net = NULL;
    s = nrx_net_checkpoint_open(path, &d.env, &c);
    if (s != NRX_OK) return s;
    s = nrxi_net_load_any(c, &d, path, net);
    nrx_net_checkpoint_free(c);
    return s;
}

NRX_DEF nrx_status nrx_net_save_state(const nrx_net *net, const float *state, size_t step, const char *path)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    nrx_status s = nrx_net_save_bytes(net, state, step, &bytes, &size);
    if (s != NRX_OK) return s;
    s = nrxi_file_write(path, bytes, 8, bytes + 8, size - 8, &net->env);
    nrx_net_free_bytes(net, bytes);
    return s;
}

NRX_DEF nrx_status nrx_net_save(const nrx_net *net, const char *path) { return nrx_net_save_state(net, NULL,
    0, path); }

NRX_DEF nrx_status nrx_net_write_c(const nrx_net *net, const char *path, const char *name)
{
    unsigned char *bytes;
    size_t size, i;
    FILE *f;
    int ok;
    nrx_status s;
    if (!path || !name) return nrxi_fail(net ? &net->env : NULL, NRX_E_ARG, "nrx_net_write_c: %s is NULL",
        path ? "name" : "path");
    s = nrx_net_save_bytes(net, NULL, 0, &bytes, &size);
    if (s != NRX_OK) return s;
    f = fopen(path, "wb");
    ok = f != NULL;
    if (ok) {
        ok = fprintf(f,
            "/* %s: %lu weights; read with nrx_net_checkpoint_read(%s, sizeof %s, NULL, &checkpoint) */\nstatic const unsigned char %s[%lu] = {",
                     net->arch[0] ? net->arch : "network", (unsigned long)net->count, name, name, name,
                         (unsigned long)size) > 0;
        for (i = 0; ok && i < size; i++) ok = fprintf(f, "%s%d,", i % 24 ? "" : "\n", (int)bytes[i]) > 0;
        ok = fprintf(f, "\n};\n") > 0 && ok;
        ok = fclose(f) == 0 && ok;
        if (!ok) (void)remove(path);
    }
    nrx_net_free_bytes(net, bytes);
    return ok ? NRX_OK : nrxi_fail(&net->env, NRX_E_IO, "nrx_net_write_c: '%s' could not be written", path);
}

NRX_DEF void nrx_net_checkpoint_print(const nrx_net_checkpoint *c, FILE *to)
{
    size_t i, k, total = 0;
    if (!c || !to) return;
    for (i = 0; i < c->count; i++) {
        const nrx_net_weight *w = c->item + i;
        double lo = HUGE_VAL, hi = -HUGE_VAL;
        for (k = 0; k < w->count; k++) { double v = (double)w->data[k]; lo = v < lo ? v : lo;
            hi = v > hi ? v : hi; }
        fprintf(to, "%-56s (", w->name);
        for (k = 0; k < (size_t)w->ndim; k++) fprintf(to, k ? ",%lu" : "%lu", (unsigned long)w->shape[k]);
        fprintf(to, ")  %.4g .. %.4g\n", lo, hi);
        total += w->count;
    }
    fprintf(to, "%lu tensors, %lu numbers\n", (unsigned long)c->count, (unsigned long)total);
}
#endif

NRX_DEF const char *nrx_net_version(void) { return NRX_NETS_VERSION; }

NRXI_IMPL_END
#endif /* implementation */

/* ---- recent history ----
   0.1.0  first version

   ---- licence: your choice of ----
   MIT-0. Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
   associated documentation files, to deal in the software without restriction, including without limitation
   the rights to use, copy, modify, merge, publish, distribute, sublicense and/or sell copies of it. The
   software is provided "as is", without warranty of any kind, express or implied; in no event shall the
   authors be liable for any claim, damages or other liability.
   Public domain (unlicense.org). This is free and unencumbered software released into the public domain.
*/
