/* nrx_optim.h - v0.1.0 - optimizers and solvers, from SGD to Freon and Kaon, from CG to PDHG
   SPDX-License-Identifier: MIT-0 OR Unlicense

   DO THIS in one .c or .cpp file of your program (and include the header plainly elsewhere):
       #define NRX_OPTIM_IMPLEMENTATION
       #include "nrx_optim.h"

   A COMPLETE PROGRAM   cc -O2 example.c -lm
 * >>> example
 *  #define NRX_OPTIM_IMPLEMENTATION
 *  #include "nrx_optim.h"
 *  #include <stdio.h>
 *  static float picture[64 * 64], clean[64 * 64];
 *  int main(void)
 *  {
 *      nrx_solve_desc options = NRX_ZERO;           // zero = good defaults everywhere
 *      nrx_solve_info info;
 *      nrx_rng r;
 *      int i;
 *      nrx_rng_seed(&r, 1, 0);
 *      for (i = 0; i < 64 * 64; i++) picture[i] = (float)((i / 64 > 20) + 0.1 * nrx_rng_normal(&r));
 *      options.tol = 1e-4;                          // relative duality gap
 *      if (nrx_opt_tv_denoise(NRX_F32, 64, 64, picture, 0.2, clean, &options, &info) != NRX_OK) return 1;
 *      printf("objective %.3f, at most %.1e above the minimum, %d iterations: %s\n", info.objective,
 *             info.gap, (int)info.iterations, nrx_stop_string(info.stop));
 *      return 0;
 *  }
 * <<< example

   WHAT IT DOES
     Training optimizers over nrx_param lists: SGD, RMSProp, AdaGrad, Adam, AdamW, AMSGrad, AdaBelief, Lion,
       Muon (Newton-Schulz, Polar Express, QDWH), Freon (any exponent), Kaon, AuON, SOAP; schedules, groups,
       clipping, accumulation, averages, save and resume to the bit.
     Matrix functions: polar factor by QDWH, Newton-Schulz, (G G^T)^-c G, singular value thresholding, norms.
     Solvers over nrx_linop and nrx_functional: Krylov, proximal gradient, primal-dual, ADMM, quasi-Newton,
       fixed points, transport.
     Proximal operators with values; bilevel learning (MAID); data-order attacks and their audit; operator
     factorization.
   WHAT IT DOES NOT
     Compute gradients of networks (nrx_nets.h, nrx_tensor.h do), sparse or integer programming, second-order
     cones, GPUs.

   WHICH TO USE WHEN
     A x = b, A symmetric positive definite            nrx_opt_cg
     A symmetric, indefinite or singular               nrx_opt_minres
     A general, square                                 nrx_opt_gmres (robust), nrx_opt_bicgstab (little
                                                       memory)
     least squares, tomography                         nrx_opt_cgls; nrx_opt_lsqr when ill-conditioned; stop
                                                       by `discrepancy` on noisy data
     smooth + bounds, any size                         nrx_opt_lbfgs; nrx_opt_bb when memory is short;
                                                       nrx_opt_ncg without bounds
     non-linear least squares, few unknowns            nrx_opt_levenberg
     1/2 |Ax-b|^2 + l1, nuclear norm, any prox         nrx_opt_fista
     1/2 |Ax-b|^2 + learned convex regularizer         nrx_opt_fista (regularizer as f, its lip and mu filled
                                                       in: certified steps and gap)
     ... + learned weakly convex or unknown one        nrx_opt_nmapg
     total variation of an image                       nrx_opt_tv_denoise
     h(Kx) non-smooth: TV with an operator, several terms   nrx_opt_pdhg; with very many rows in blocks
                                                            nrx_opt_spdhg
     the same to high accuracy, A cheap to apply       nrx_opt_admm
     only subgradients                                 nrx_opt_subgradient (Polyak's step if the minimum is
                                                       known)
     x = T(x), T nonexpansive                          nrx_opt_halpern; T a contraction: nrx_opt_anderson;
                                                       sums: nrx_opt_vr_halpern
     transport between two histograms                  nrx_opt_sinkhorn; small epsilon:
                                                       nrx_opt_sinkhorn_newton
     parameters of a regularizer from examples         nrx_opt_bilevel
     training a network                                AdamW (NRX_OPT_DEFAULT) first; matrices of at least 64:
                                                       Muon with NRX_SCALE_RMS and AdamW's rate, embeddings,
                                                       heads and gains in a group with kind NRX_OPT_ADAMW;
                                                       Freon at c = 2/3 and Kaon where Muon does well
     averaging away noise at the end                   desc.ema, or a schedule that ends at zero

   CONVENTIONS
     Matrices are row-major and contiguous. Vectors of solvers have the dtype (NRX_F32, NRX_F64) of the
     operator or functional; scalars are double. A descriptor that is NULL or all zero means the defaults
     written beside its fields. Learning rates multiply the direction as documented at NRX_SCALE_*; weight
     decay is decoupled (w *= 1 - lr*decay) except for NRX_OPT_ADAM.
   ERRORS
     Functions return nrx_status; bad arguments, shapes and memory are reported before anything is written,
     with one line through env.log. Not converging is a result: read info.stop (nrx_stop_string) and info.gap.
     A value that is not finite stops a solver with NRX_E_NUMERIC and the last good x.
   MEMORY
     From env's allocator (default malloc). Solvers allocate once per call, optimizers once in nrx_opt_init;
     nrx_opt_step does not allocate (except Freon with an irrational exponent, which needs an SVD).
   THREADS, DETERMINISM
     No globals; one thread per object. Products and elementwise steps use env.parallel_for or OpenMP; the
     bits do not depend on the number of threads. The same build on the same kind of processor gives the same
     bits; stochastic methods draw from the seed given.
   PRECISION
     f32 data are summed in f64 where sums are long. Orthogonal factors: |U^T U - I| < 1e-15 in f64. Freon
     works in f64 inside; its cheap defaults are accurate for condition numbers up to 1e3 (see
     nrx_opt_freon_desc). Kaon is chaotic by design.

   MACROS (define before the implementation, in one file)
     NRX_OPTIM_IMPLEMENTATION or NRX_IMPLEMENTATION  emit the code
     NRX_STATIC                                      everything static in this unit
     NRX_MALLOC/NRX_REALLOC/NRX_FREE                 default allocator
     NRX_LOG(line), NRX_VERBOSE                      default log (silent); log to stderr
     NRX_NO_STDIO                                    no stdio at all
     NRX_NO_SIMD                                     plain C only
     NRX_USE_CBLAS                                   products by a BLAS
     NRX_DEF                                         linkage of functions
*/
#if defined(NRX_STATIC) && defined(NRX_LINKAGE_) && NRX_LINKAGE_ != 1
#error "NRX_STATIC must be defined before the first nrx include of this translation unit"
#endif
#ifndef NRX_OPTIM_H
#define NRX_OPTIM_H
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
/* >>> nrx adam (declarations) */
#ifndef NRX_ADAM_VERSION
#define NRX_ADAM_VERSION 573486238
/* Adam, AdamW and SGD with momentum over an nrx_param list. The caller owns parameters and gradients; they must stay in place. */

enum { NRX_ADAM_ADAM = 0, NRX_ADAM_SGD = 1 };

typedef struct nrx_adam_desc {
    int    kind;           /* NRX_ADAM_ADAM (AdamW when weight_decay > 0), NRX_ADAM_SGD */
    int    nesterov;       /* SGD: non-zero looks ahead */
    double lr;             /* 0 = 1e-3 for Adam, 1e-2 for SGD */
    double beta1, beta2;   /* Adam: 0 = 0.9, 0.999 */
    double eps;            /* Adam: 0 = 1e-8 */
    double momentum;       /* SGD: 0 = none */
    double weight_decay;   /* decoupled: w *= 1 - lr*weight_decay before the step */
    double clip_norm;      /* > 0: the gradient over all parameters is scaled down to this norm */
    nrx_env env;
} nrx_adam_desc;

typedef struct nrx_adam {
    nrx_adam_desc desc;    /* resolved; lr may be changed between steps */
    const nrx_param *params;
    size_t count;          /* of params */
    size_t steps;          /* taken */
    size_t skipped;        /* steps refused because a gradient was not finite */
    double grad_norm;      /* of the last step, before clipping */
    void  *moments;        /* all first moments, then (Adam) all second moments, each in the parameter's dtype */
    size_t moment_bytes;
} nrx_adam;
#elif NRX_ADAM_VERSION != 573486238
#error "nrx: headers with different versions of the adam block are mixed in one translation unit"
#endif
/* <<< nrx adam (declarations) */
#ifdef __cplusplus
extern "C" {
#endif

#define NRX_OPTIM_VERSION "0.1.0"

/* Version of the implementation that was linked, "major.minor.patch". */
NRX_DEF const char *nrx_opt_version(void);

/* ==== matrix functions ====
   Matrices are rows x cols, row-major, contiguous, of `dtype` NRX_F32 or NRX_F64. Outputs may be the input
   array unless stated. NULL desc = defaults. A zero matrix gives zero; a matrix with a NaN or infinity
   gives NRX_E_NUMERIC and nothing is written. */

typedef struct nrx_opt_polar_desc {
    /* lower bound of sigma_min / |A|_F; 0 = estimated, 1e-17 for the ill-conditioned. Too small only costs
       iterations */
    double lower;
    size_t max_iter;       /* 0 = 12 */
    int    no_polish;      /* non-zero skips the last Newton-Schulz step (Gram matrix in doubled precision) */
    nrx_env env;
} nrx_opt_polar_desc;

typedef struct nrx_opt_polar_info {
    size_t iterations;     /* QDWH steps taken */
    size_t qr_steps;       /* of them by QR (the others by Cholesky) */
    double change;         /* Frobenius norm of the last change */
} nrx_opt_polar_info;

/* Polar decomposition A = U H by QDWH (Nakatsukasa, Bai, Gygi 2010, SIMAX 31(5); Nakatsukasa, Higham
   2013): U rows x cols with orthonormal columns (rows when rows < cols), H = sqrt(A^T A) cols x cols,
   symmetric (NULL = not wanted). At most 6 iterations for condition numbers up to 1e16; |U^T U - I|_2
   below 1e-15 in f64 after the polish. Works in f64 inside. Cost in matrix products (measured at 512): 3.2
   per QR iteration by products (one, two for the ill-conditioned), 3.9 by Householder reflections (the first
   at condition numbers beyond 1e8), 1.7 per Cholesky iteration with its share of the one product at their
   end (2.1 without the polish), 2.6 for the polish, 1.3 for the scale and the bound of sigma_min. */
NRX_DEF nrx_status nrx_opt_polar(int dtype, size_t rows, size_t cols, const void *a, void *u, void *h,
    const nrx_opt_polar_desc *desc, nrx_opt_polar_info *info);

enum {
       /* Jordan's quintic (3.4445, -4.7750, 2.0315): singular values >= 2e-3 land in [0.68, 1.21] */
       NRX_NS_MUON = 0,
       /* Amsel et al. 2025: a new quintic each step; 6 steps: singular values >= 1e-3 land within 0.7 % of
          1 */
       NRX_NS_POLAR_EXPRESS = 1,
       /* five quintics with the safety factor built in */
       NRX_NS_DION = 2,
       /* (3x - x^3)/2: slow and exact */
       NRX_NS_CUBIC = 3,
       NRX_NS_KAON = 4           /* 4.1 x (1 - x^2)^2: chaotic, for nrx_opt_kaon */ };

typedef struct nrx_opt_ns_desc {
    int    coefficients;   /* NRX_NS_* */
    size_t steps;          /* 0 = 5 */
    double eps;            /* added to the Frobenius norm; 0 = 1e-7, negative = 0 */
    nrx_env env;
} nrx_opt_ns_desc;

/* Approximate polar factor by odd polynomials of G/|G|_F, as Muon does it: only products of matrices.
   Works in dtype. */
NRX_DEF nrx_status nrx_opt_newton_schulz(
    int dtype, size_t rows, size_t cols, const void *g, void *x, const nrx_opt_ns_desc *desc);

enum {
       /* O = U diag((sigma/M_q)^(q-1)) V^T, M_q = (mean sigma^q)^(1/q): one learning rate for all
          exponents and widths */
       NRX_FREON_POWER_MEAN = 0,
       NRX_FREON_SUM = 1,        /* the map of G / |G|_Schatten-q: unit Schatten-p norm for q > 1 */
       NRX_FREON_RAW = 2         /* (G G^T)^-c G itself */ };

typedef struct nrx_opt_freon_desc {
    /* exponent: 0 = normalised gradient, 1/2 = polar factor (Muon), > 1/2 inverted spectrum, 1 =
       pseudo-inverse */
    double c;
    int    scale;          /* NRX_FREON_* */
    double sigma_min;      /* relative singular values down to here are mapped accurately, smaller ones grow
                              linearly from 0. 0 = 1e-3 in f32 (good for condition numbers up to 1e3), 1e-5 in f64 */
    size_t terms;          /* rational steps; 0 = 3 in f32, 4 in f64 (5 for sigma_min 1e-7) */
    /* non-zero: by singular value decomposition instead (also used when c is not a/b with b <= 16) */
    int    exact;
    nrx_env env;
} nrx_opt_freon_desc;

/* Freon's direction D_c = (G G^T)^-c G = U diag(sigma^(1-2c)) V^T without an SVD, scaled (Shumaylov et al.
   2026, arXiv 2605.11181): a coupled rational iteration with minimax coefficients, k x k work (k =
   min(rows, cols)) in f64 always. c in [-2, 2]. */
NRX_DEF nrx_status nrx_opt_freon(
    int dtype, size_t rows, size_t cols, const void *g, void *d, const nrx_opt_freon_desc *desc);

/* Minimax coefficients (alpha, beta, gamma)_t, t < terms, of the coupled iteration for the b-th root (b >=
   2) on relative singular values [sigma_min, 1]: coefficients[3 t ...]. *reached = the lower end of the
   interval that [sigma_min^(2/b), 1] is mapped to (upper end 1). For b = 2 they are QDWH's. Composite
   minimax in the sense of Gawlik and Nakatsukasa 2019 (arXiv 1906.11326), by nested bisection. */
NRX_DEF nrx_status nrx_opt_freon_coefficients(
    int b, double sigma_min, size_t terms, double *coefficients, double *reached);

/* Kaon's direction: `steps` (0 = 5) of x -> 4.1 x (1 - x^2)^2 on the singular values of G/|G|_F, divided
   by 1.175. Deterministic and chaotic: other precisions or summation orders give another, equally good
   spectrum. A rank-one matrix, which the map would send to 0, gets G/|G|_F and *fallback = 1 (fallback may
   be NULL). */
NRX_DEF nrx_status nrx_opt_kaon(int dtype, size_t rows, size_t cols, const void *g, void *d, size_t steps,
    int *fallback, const nrx_env *env);

/* Singular value thresholding: U diag(max(sigma - tau, 0)) V^T, the prox of tau times the nuclear norm.
   *rank (may be NULL) = values left. */
NRX_DEF nrx_status nrx_opt_svt(int dtype, size_t rows, size_t cols, const void *a, double tau, void *x,
    size_t *rank, const nrx_env *env);

/* Largest singular value, to rounding, from the SVD (k = min(rows, cols), O(rows cols k)). */
NRX_DEF nrx_status nrx_opt_spectral_norm(
    int dtype, size_t rows, size_t cols, const void *a, double *norm, const nrx_env *env);

/* ==== training optimizers ====
   One step: gradients are checked (not finite, or too large to be squared: NRX_E_NUMERIC with a line that
   names the block, nothing changed), clipped, turned into a direction, applied with decoupled decay, then
   constraints and averages. Formulas: SGD first velocity = gradient; Adam (Kingma, Ba 2015); AdamW
   (Loshchilov, Hutter 2019); AMSGrad (Reddi et al. 2018); RMSProp (Tieleman, Hinton 2012); AdaGrad (Duchi
   et al. 2011); AdaBelief (Zhuang et al. 2020); Lion (Chen et al. 2023); Muon (Jordan 2024); Freon, Kaon
   (Shumaylov et al. 2026); AuON (2509.24320); SOAP (Vyas et al. 2024). The matrix kinds (Muon to SOAP) act
   on blocks with at least two rows and columns (view a convolution kernel as out x in*kh*kw); every other
   block, and those a group says, goes to AdamW with the aux_ settings. Give embeddings, heads and gains to
   a group. */

enum {
    NRX_OPT_DEFAULT = 0, /* AdamW in a descriptor, "as the descriptor" in a group */
    NRX_OPT_ADAMW = 1,
    NRX_OPT_SGD = 2,
    NRX_OPT_RMSPROP = 3,
    NRX_OPT_ADAGRAD = 4,
    NRX_OPT_ADAM = 5, /* weight_decay as an L2 term of the gradient */
    NRX_OPT_ADABELIEF = 6,
    NRX_OPT_LION = 7,
    NRX_OPT_MUON = 8,
    NRX_OPT_FREON = 9,
    NRX_OPT_KAON = 10,
    NRX_OPT_AUON = 11,
    NRX_OPT_SOAP = 12
};

enum { NRX_SCHEDULE_CONSTANT = 0, NRX_SCHEDULE_COSINE = 1, NRX_SCHEDULE_LINEAR = 2,
       NRX_SCHEDULE_WSD = 3,        /* warm-up, stable, linear decay over the last `decay` steps */
       NRX_SCHEDULE_WSD_SQRT = 4,   /* the same with 1 - sqrt(x) */
       NRX_SCHEDULE_ONE_CYCLE = 5   /* cosine up from 1/25, cosine down to `floor` */ };

typedef struct nrx_opt_schedule {
    int    kind;           /* NRX_SCHEDULE_* */
    size_t warmup;         /* steps of linear warm-up t/warmup (one-cycle: steps up; 0 = 30 %) */
    size_t total;          /* steps of the whole run; needed by all but constant */
    size_t decay;          /* WSD: last steps; 0 = 20 % of total */
    double floor;          /* factor at the end; 0 = 0 */
} nrx_opt_schedule;

/* The factor on the learning rate at step 1, 2, ... */
NRX_DEF double nrx_opt_schedule_factor(const nrx_opt_schedule *schedule, size_t step);

enum { NRX_SCALE_SPECTRAL = 0,      /* sqrt(max(1, rows/cols)) times the direction */
       NRX_SCALE_RMS = 1,           /* 0.2 sqrt(max(rows, cols)): updates as large as AdamW's */
       NRX_SCALE_NONE = 2 };
enum { NRX_MUON_NS = 0, NRX_MUON_POLAR_EXPRESS = 1, NRX_MUON_QDWH = 2 };

typedef struct nrx_opt_group {       /* blocks first .. first+count-1; a later group wins */
    size_t first, count;
    int    kind;           /* NRX_OPT_*; NRX_OPT_DEFAULT = as the descriptor */
    int    frozen;         /* non-zero: never changed */
    double lr;             /* 0 = as the descriptor (its aux_lr for AdamW blocks of a matrix kind) */
    double weight_decay;   /* 0 = as the descriptor, negative = none */
} nrx_opt_group;

typedef struct nrx_opt_desc {
    int    kind;           /* NRX_OPT_* */
    /* 0 = the kind's habit (on for Muon, Freon, Kaon, AuON; off for SGD), 1 on, -1 off */
    int    nesterov;
    /* 0 = 1e-3; 1e-2 SGD, RMSProp, AdaGrad; 1e-4 Lion; 2e-2 Muon, Freon, AuON; 3e-2 Kaon; 3e-3 SOAP */
    double lr;
    double momentum;       /* SGD, RMSProp: 0 = none; matrix kinds: 0 = 0.95, negative = none */
    double beta1, beta2;   /* 0 = 0.9, 0.999; Lion 0.9, 0.99; SOAP 0.95, 0.95; RMSProp beta2 0.99 */
    double eps;            /* 0 = 1e-8 */
    double weight_decay;   /* 0 = none */
    int    amsgrad;        /* Adam, AdamW: divide by the largest second moment seen */
    double clip_value;     /* > 0: every gradient entry into [-clip_value, clip_value] */
    double clip_norm;      /* > 0: then the norm over all blocks down to this */
    size_t accumulate;     /* gradients of this many calls are averaged into one step; 0 = 1 */
    nrx_opt_schedule schedule;
    /* > 0: average of the weights, w_avg = b w_avg + (1-b) w, b = min(ema, (1+t)/(10+t)); see
       nrx_opt_swap_average */
    double ema;
    int    scale;          /* matrix kinds: NRX_SCALE_* */
    int    muon;           /* Muon: NRX_MUON_*; Newton-Schulz by default */
    size_t steps;          /* Newton-Schulz or Kaon steps; 0 = 5 */
    double freon_c;        /* Freon's exponent; 0 = 2/3, negative = 0 */
    double freon_sigma_min;/* see nrx_opt_freon_desc */
    size_t freon_terms;
    /* matrix kinds: non-zero brings each block to |W|_F = sqrt(rows) before the step */
    int    norm_weight;
    size_t refresh;        /* SOAP: steps between eigenbases; 0 = 10 */
    double aux_lr, aux_beta1, aux_beta2, aux_eps; /* AdamW inside matrix kinds: 0 = 3e-4, 0.9, 0.95, 1e-10 */
    const nrx_opt_group *groups; /* must outlive the optimizer */
    size_t group_count;
    nrx_env env;
} nrx_opt_desc;

typedef struct nrx_opt {
    nrx_opt_desc desc;     /* resolved; desc.lr may be changed between steps */
    const nrx_param *params;
    size_t count;
    size_t steps;          /* taken */
    size_t pending;        /* gradients accumulated for the next one */
    size_t skipped;        /* calls refused because of a bad gradient */
    size_t fallbacks;      /* directions replaced by the normalised gradient (rank one under Kaon) */
    double grad_norm;      /* of the last step, before clip_norm */
    double lr;             /* of the last step, after the schedule */
    void  *state, *plan, *work;
    size_t state_bytes;
} nrx_opt;

/* Plans an optimizer; params (and what they point to) must outlive it. All memory is allocated here except
   SVDs of irrational Freon exponents. */
NRX_DEF nrx_status nrx_opt_init(
    nrx_opt *opt, const nrx_param *params, size_t count, const nrx_opt_desc *desc);
/* One step from the gradients (or one more gradient accumulated). NRX_E_NUMERIC: refused, nothing changed. */
NRX_DEF nrx_status nrx_opt_step(nrx_opt *opt);
/* Exchanges weights and their average (desc.ema); call again to go on training. */
NRX_DEF nrx_status nrx_opt_swap_average(nrx_opt *opt);
NRX_DEF void nrx_opt_drop(nrx_opt *opt);

/* Everything a run needs to go on to the bit, besides the weights: save into nrx_opt_state_size bytes,
   restore into an optimizer made from the same parameters and descriptor (NRX_E_FORMAT otherwise). Same
   byte order only. */
NRX_DEF size_t nrx_opt_state_size(const nrx_opt *opt);
NRX_DEF nrx_status nrx_opt_save(const nrx_opt *opt, void *bytes, size_t size);
NRX_DEF nrx_status nrx_opt_restore(nrx_opt *opt, const void *bytes, size_t size);

/* The quantities of Shumaylov et al. 2026, section 3.1, for n entries: full gradient g, mini-batch
   gradient gt, direction d, Hessian times direction hd. The step eta = s <gt,d>/<d,Hd> changes the local
   quadratic by -potential (alignment s - s^2/2). */
typedef struct nrx_opt_diagnosis {
    double alignment;      /* <g,d> / <gt,d> */
    double potential;      /* <gt,d>^2 / <d,Hd> */
    double step;           /* best step: <g,d> / <d,Hd> */
    double decrease;       /* at that step: potential alignment^2 / 2 */
} nrx_opt_diagnosis;
NRX_DEF nrx_status nrx_opt_diagnose(int dtype, size_t n, const void *g, const void *gt, const void *d,
    const void *hd, nrx_opt_diagnosis *out);

/* Largest relative difference between f's gradient at x and central differences along `directions` fixed
   directions (0 = 3), step h (0 = 1e-5): about 1e-8 for a right gradient in f64. */
NRX_DEF nrx_status nrx_opt_check_gradient(
    const nrx_functional *f, const void *x, size_t directions, double h, double *error, const nrx_env *env);

/* ==== solvers ====
   Options in nrx_solve_desc (NULL = defaults), results in nrx_solve_info (NULL = not wanted); f32 and f64
   by the dtype of operators and functionals unless stated. x is the starting point and the result.
   Statuses other than NRX_OK leave the last good iterate in x. */

/* Krylov methods for A x = b: A symmetric positive definite; symmetric; general (restarted every
   desc.memory = 30 steps); general. History and residual: |b - A x| / |b|. */
NRX_DEF nrx_status nrx_opt_cg(
    const nrx_linop *A, const void *b, void *x, const nrx_solve_desc *desc, nrx_solve_info *info);
NRX_DEF nrx_status nrx_opt_minres(
    const nrx_linop *A, const void *b, void *x, const nrx_solve_desc *desc, nrx_solve_info *info);
NRX_DEF nrx_status nrx_opt_gmres(
    const nrx_linop *A, const void *b, void *x, const nrx_solve_desc *desc, nrx_solve_info *info);
NRX_DEF nrx_status nrx_opt_bicgstab(
    const nrx_linop *A, const void *b, void *x, const nrx_solve_desc *desc, nrx_solve_info *info);
/* min |A x - b|^2 + damp^2 |x|^2. On noisy data stop early: desc.discrepancy. LSQR is the more robust one
   for ill-conditioned A. */
NRX_DEF nrx_status nrx_opt_cgls(
    const nrx_linop *A, const void *b, void *x, const nrx_solve_desc *desc, nrx_solve_info *info);
NRX_DEF nrx_status nrx_opt_lsqr(
    const nrx_linop *A, const void *b, void *x, const nrx_solve_desc *desc, nrx_solve_info *info);

/* min 1/2 |A x - b|^2 + f(x) + g(x) over the box; f by gradient, g by prox; A (with b), f, g may each be
   NULL. fista: proximal gradient with Nesterov's momentum and restart (desc.no_restart: objective -
   minimum <= 2 L |x0 - x*|^2 / (k+1)^2); gradient: without momentum (ISTA, monotone); nmapg: for
   non-convex f or g. The box is applied after g's prox, which is exact for separable g. History:
   objective. Gap: from f's and g's mu when the step is 1/L with proven L. */
NRX_DEF nrx_status nrx_opt_fista(const nrx_linop *A, const void *b, const nrx_functional *f,
    const nrx_functional *g, void *x, const nrx_solve_desc *desc, nrx_solve_info *info);
NRX_DEF nrx_status nrx_opt_gradient(const nrx_linop *A, const void *b, const nrx_functional *f,
    const nrx_functional *g, void *x, const nrx_solve_desc *desc, nrx_solve_info *info);
NRX_DEF nrx_status nrx_opt_nmapg(const nrx_linop *A, const void *b, const nrx_functional *f,
    const nrx_functional *g, void *x, const nrx_solve_desc *desc, nrx_solve_info *info);

/* min g(x) + h(K x) + f(x): g, h by prox, f by gradient (its lip is needed: Condat-Vu); g NULL = the box
   only, f NULL = none. y: dual variable, K->rows entries, start and result, NULL = from zero. Fixed steps,
   accelerated (g's mu > 0), adaptive (desc.adaptive); weakly convex h or g by their rho. Gap: certified
   when g->mu > 0 and h->eval is given. */
NRX_DEF nrx_status nrx_opt_pdhg(const nrx_linop *K, const nrx_functional *g, const nrx_functional *h,
    const nrx_functional *f, void *x, void *y, const nrx_solve_desc *desc, nrx_solve_info *info);
/* Stochastic PDHG (Chambolle, Ehrhardt, Richtarik, Schoenlieb 2018) for min g(x) + sum_i h_i(K_i x),
   uniform serial sampling of the `blocks` operators (norms needed, else estimated); max_iter counts
   epochs; desc.seed chooses the sample path. History: relative change per epoch. */
NRX_DEF nrx_status nrx_opt_spdhg(const nrx_linop *K, const nrx_functional *h, size_t blocks,
    const nrx_functional *g, void *x, const nrx_solve_desc *desc, nrx_solve_info *info);
/* min 1/2 |A x - b|^2 + g(K x) by ADMM (Boyd et al. 2011) with inner CG, over-relaxation 1.6 and balanced
   rho; A NULL = identity (b then has n entries), K NULL = identity. desc.step = first rho (0 = 1).
   History: max of relative primal and dual residual. */
NRX_DEF nrx_status nrx_opt_admm(const nrx_linop *A, const void *b, const nrx_linop *K,
    const nrx_functional *g, void *x, const nrx_solve_desc *desc, nrx_solve_info *info);

/* min f(x) for smooth f. lbfgs: desc.memory pairs (0 = 8), strong Wolfe line search; with bounds:
   projected, free variables only. ncg: Polak-Ribiere+. bb: Barzilai-Borwein steps with a nonmonotone
   check. Stop: |gradient| <= tol max(1, |x|) (the projected gradient under bounds). History: f. */
NRX_DEF nrx_status nrx_opt_lbfgs(
    const nrx_functional *f, void *x, const nrx_solve_desc *desc, nrx_solve_info *info);
NRX_DEF nrx_status nrx_opt_ncg(
    const nrx_functional *f, void *x, const nrx_solve_desc *desc, nrx_solve_info *info);
NRX_DEF nrx_status nrx_opt_bb(
    const nrx_functional *f, void *x, const nrx_solve_desc *desc, nrx_solve_info *info);
/* min f(x) for non-smooth f: eval's grad is any subgradient; projection onto the box and by g's prox (may
   be NULL). Steps: Polyak's when desc.target (the minimum, or a bound below it) is set with use_target,
   else desc.step / sqrt(k+1) (0 = 1) along the normalised subgradient. x = best iterate. */
NRX_DEF nrx_status nrx_opt_subgradient(const nrx_functional *f, const nrx_functional *g, void *x,
    const nrx_solve_desc *desc, nrx_solve_info *info);

/* Levenberg-Marquardt in f64: residuals r (m) and Jacobian J (m x n row-major, NULL when not wanted) from
   `fn`; min 1/2 |r(x)|^2. Damping: Nielsen's rule times |r| / |r_0|, so that convergence to r = 0 is
   quadratic (Fan 2003). Stop: |J^T r| relative. */
typedef nrx_status (*nrx_opt_residual_fn)(void *user, const double *x, double *r, double *J);
NRX_DEF nrx_status nrx_opt_levenberg(nrx_opt_residual_fn fn, void *user, size_t m, size_t n, double *x,
    const nrx_solve_desc *desc, nrx_solve_info *info);

/* Fixed points x = T(x) of a nonexpansive map. halpern: x <- x0/(k+2) + (k+1)/(k+2) T(x), |x_k - T x_k| <=
   2 |x0 - x*| / (k+1); anderson: type II with desc.memory (0 = 5) residuals, restarted when the residual
   grows (for contractions; no guarantee without). History and residual: |x - T(x)|. */
typedef nrx_status (*nrx_opt_map_fn)(void *user, const void *x, void *tx);
NRX_DEF nrx_status nrx_opt_halpern(nrx_opt_map_fn map, void *user, size_t n, int dtype, void *x,
    const nrx_solve_desc *desc, nrx_solve_info *info);
NRX_DEF nrx_status nrx_opt_anderson(nrx_opt_map_fn map, void *user, size_t n, int dtype, void *x,
    const nrx_solve_desc *desc, nrx_solve_info *info);
/* 0 in mean_i F_i(x) + dg(x), F_i on average 1/L-cocoercive: mean |F_i(x) - F_i(y)|^2 <= L <F(x) - F(y), x
   - y>. Variance-reduced Halpern (Cai, Alacaoglu, Diakonikolas, ICLR 2024, algorithm 1, parameters as in
   their published code): x_{k+1} = prox_{h g}(l x_0 + (1 - l) x_k - h F~_k), l = 2/(k+4), h = 1/(4 L); F~_k
   is F(x_k) for k < 2, then with probability 4/(k+4), but not below 4/(sqrt m + 5), else F~_{k-1} with the
   change of ceil(sqrt m) of the m components added; with m < 17 always F(x_k). component(user, i, x, fx)
   gives F_i(x); lip = L; g by prox, may be NULL; desc.seed. For the element g_k of dg(x_k) that the prox
   gives,
     (E |F(x_k) + g_k|^2)^(1/2) <= L |x_0 - x*| (16/(k+4) + c/((k+2)(k+3))), c = 14, or 3/4 without g;
   the proof is at the implementation. Residual: |F(x_k) + g_k|, F by its estimate; a stop by tol is
   confirmed with F itself. */
typedef nrx_status (*nrx_opt_component_fn)(void *user, size_t i, const void *x, void *fx);
NRX_DEF nrx_status nrx_opt_vr_halpern(nrx_opt_component_fn component, void *user, size_t components, size_t n,
    int dtype, double lip, const nrx_functional *g, void *x, const nrx_solve_desc *desc,
    nrx_solve_info *info);

/* Entropic optimal transport in f64: cost C (n x m), marginals r, c (positive, equal sums), epsilon. f
   (n), g (m): potentials, start and result; P (n x m, may be NULL): the plan exp((f_i + g_j -
   C_ij)/epsilon). sinkhorn: sweeps in the log domain; sinkhorn_newton: desc.memory (0 = 20) sweeps, then
   Newton steps by CG on the Hessian whose plan part keeps its largest entries (desc.ratio (0 = all) times
   max(n, m) of them: Tang et al. 2024). Residual: sum |P 1 - r| (+ |P^T 1 - c|). Objective: dual value f.r
   + g.c - epsilon (sum P - sum r). info->restarts counts Newton steps. */
NRX_DEF nrx_status nrx_opt_sinkhorn(size_t n, size_t m, const double *C, const double *r, const double *c,
    double epsilon, double *f, double *g, double *P, const nrx_solve_desc *desc, nrx_solve_info *info);
NRX_DEF nrx_status nrx_opt_sinkhorn_newton(size_t n, size_t m, const double *C, const double *r,
    const double *c, double epsilon, double *f, double *g, double *P, const nrx_solve_desc *desc,
    nrx_solve_info *info);

/* ==== proximal operators as functionals ====
   weight * phi(x) with value and exact prox (iterative where said). Fill an nrx_opt_reg, which must
   outlive the functional, and ask for it. Signs: tau below stands for tau * weight. Sources: Parikh and
   Boyd 2014; Combettes and Pesquet 2011; for l_1/2 Xu et al. 2012. */

enum {
       /* sum |x_i| */
       NRX_REG_L1 = 1,
       /* |x|_2 */
       NRX_REG_L2 = 2,
       /* 1/2 |x - data|^2 (data NULL = 0); has a gradient */
       NRX_REG_L2_SQUARED = 3,
       /* max |x_i| */
       NRX_REG_LINF = 4,
       /* sum of Euclidean norms of groups of `group` consecutive entries */
       NRX_REG_GROUP_L1 = 5,
       /* |x|_1 + a/2 |x|^2 */
       NRX_REG_ELASTIC = 6,
       /* x^2/(2a) for |x| <= a, |x| - a/2 outside; has a gradient */
       NRX_REG_HUBER = 7,
       /* sum x - data log x (+ data log data - data), x > 0: Poisson data */
       NRX_REG_KL = 8,
       /* -sum log x */
       NRX_REG_LOG = 9,
       /* sum x log x, x >= 0 */
       NRX_REG_ENTROPY = 10,
       /* indicator of a <= x_i <= b */
       NRX_REG_BOX = 11,
       NRX_REG_NONNEGATIVE = 12,
       /* indicator of x >= 0, sum x = a (0 = 1) */
       NRX_REG_SIMPLEX = 13,
       /* radius a (0 = 1), around data for l2 */
       NRX_REG_L1_BALL = 14, NRX_REG_L2_BALL = 15, NRX_REG_LINF_BALL = 16,
       /* sum of singular values of the rows x cols matrix */
       NRX_REG_NUCLEAR = 17,
       /* indicator of M x = data, M = matrix (rows x n, f64, full row rank), data f64 */
       NRX_REG_AFFINE = 18,
       /* sum |x_{i+1} - x_i|: exact, O(n) (Johnson 2013) */
       NRX_REG_TV_1D = 19,
       /* isotropic, rows x cols image: dual FISTA until the gap is below tol (0 = 1e-6) of the objective */
       NRX_REG_TV_2D = 20,
       /* number of non-zeros; sum sqrt|x|: not convex */
       NRX_REG_L0 = 21, NRX_REG_L_HALF = 22,
       /* minimax concave penalty, gamma = a > tau, unit lambda = weight */
       NRX_REG_MCP = 23,
       /* indicator of rank <= a: truncation */
       NRX_REG_RANK = 24,
       /* sum over i of |(x_i, x_{n/g + i}, ...)|_2 for `group` planes: isotropic TV of nrx gradient fields */
       NRX_REG_GROUP_PLANES = 25 };

typedef struct nrx_opt_reg {
    int    kind;           /* NRX_REG_* */
    int    dtype;
    size_t n;              /* entries of x */
    size_t rows, cols;     /* matrices and images: rows * cols = n; affine: rows = equations */
    size_t group;          /* group sizes; planes: number of planes (0 = 2) */
    double weight;         /* 0 = 1; indicators ignore it */
    double a, b;           /* parameters as above */
    const void *data;      /* as above, in dtype (affine: f64) */
    const double *matrix;  /* affine */
    double tol;
    nrx_env env;
} nrx_opt_reg;

/* The functional, with convexity, lip and mu filled in where known. n = 0 fails at its first use. */
NRX_DEF nrx_functional nrx_opt_functional(nrx_opt_reg *reg);
/* Moreau: x = prox_{sigma f*}(v) = v - sigma prox_{f/sigma}(v/sigma). x may be v when workspace (n
   entries) is given, else must differ. */
NRX_DEF nrx_status nrx_opt_prox_conjugate(
    const nrx_functional *f, double sigma, const void *v, void *x, void *workspace);

/* Total variation denoising: min_u 1/2 |u - f|^2 + lambda sum |grad u|_2 (isotropic, forward differences,
   zero at the far edges) for a height x width image. u: start of nothing, result; u may be f. desc.method
   NRX_SOLVE_ACCELERATED (default) = dual FISTA with restart, NRX_SOLVE_GRADIENT = accelerated PDHG. Fused
   single sweeps over the rows. Stop: gap <= tol * objective, tested every check_every (0 = 10) iterations;
   info.gap bounds objective - minimum. History: gap, at each test. */
NRX_DEF nrx_status nrx_opt_tv_denoise(int dtype, size_t height, size_t width, const void *f, double lambda,
    void *u, const nrx_solve_desc *desc, nrx_solve_info *info);

/* ==== bilevel learning (f64) ====
   min_theta g(xhat(theta)), xhat = argmin_x h(x, theta), h mu-strongly convex in x with lip-Lipschitz
   gradient. */
typedef struct nrx_opt_bilevel_problem {
    size_t n, p;           /* unknowns x; parameters theta */
    void  *user;
    /* grad_x h */
    nrx_status (*lower_grad)(void *user, const double *theta, const double *x, double *grad);
    /* (d2h/dx2) v */
    nrx_status (*lower_hess)(void *user, const double *theta, const double *x, const double *v, double *hv);
    /* (d/dtheta grad_x h)^T q: p entries */
    nrx_status (*cross)(void *user, const double *theta, const double *x, const double *q, double *out);
    /* g and its gradient */
    nrx_status (*upper)(void *user, const double *x, double *value, double *grad);
    double mu, lip;        /* of h in x, both > 0 */
    double upper_lip;      /* Lipschitz constant of grad g; 0 = 1 */
    double cross_norm;     /* bound of |d/dtheta grad_x h|; 0 = estimated as |B^T q| / |q| */
    /* Lipschitz constants in x of the Hessian's inverse and of the cross term; 0 = 0 (quadratic h) */
    double hess_lip, cross_lip;
} nrx_opt_bilevel_problem;

enum {
       /* Method of Adaptive Inexact Descent: accuracies and step size from certified bounds (Salehi et al.
          2023, 2308.10098) */
       NRX_BILEVEL_MAID = 0,
       NRX_BILEVEL_IMPLICIT = 1,      /* implicit gradient at fixed accuracy `epsilon`, fixed step */
       NRX_BILEVEL_JACOBIAN_FREE = 2  /* inverse Hessian replaced by 2/(mu + lip): cheap, biased */ };
typedef struct nrx_opt_bilevel_desc {
    int    method;         /* NRX_BILEVEL_* */
    size_t max_iter;       /* outer; 0 = 100 */
    double tol;            /* stop when the hypergradient is below this; 0 = 1e-6 */
    double epsilon, delta; /* first accuracies of x and of the linear solve; 0 = 0.1 (fixed methods: 1e-6) */
    double step;           /* first (fixed methods: the) step; 0 = 0.1 */
    double eta, rho, shrink, grow; /* MAID: 0 = 1e-4, 0.9, 0.5, 1.05 */
    double *history;       /* upper value per outer iteration */
    size_t history_size;
    nrx_env env;
} nrx_opt_bilevel_desc;
typedef struct nrx_opt_bilevel_info {
    size_t iterations, lower_iterations, cg_iterations, backtracks, history_count;
    /* error: certified bound of the hypergradient's error (MAID with the constants given) */
    double value, hypergradient, error, epsilon, delta, step;
    int    stop;
} nrx_opt_bilevel_info;
/* theta (p) and x (n) are starts and results. MAID cannot certify a decrease below the rounding of g:
   where the smallest g is not zero, hypergradients below about 1e-7 end with NRX_STOP_STALLED. */
NRX_DEF nrx_status nrx_opt_bilevel(const nrx_opt_bilevel_problem *problem, double *theta, double *x,
    const nrx_opt_bilevel_desc *desc, nrx_opt_bilevel_info *info);

/* ==== data order: samplers, attacks, audit ====
   Shumailov et al. 2021 (2104.09667): what order alone can do to stochastic training, and how to notice. */
enum { NRX_ORDER_UNIFORM = 0,     /* Fisher-Yates from seed and epoch */
       NRX_ORDER_LOW_HIGH = 1, NRX_ORDER_HIGH_LOW = 2,
       NRX_ORDER_OSC_IN = 3,      /* alternately from both extremes towards the median */
       NRX_ORDER_OSC_OUT = 4      /* from the median outwards */ };
enum { NRX_ATTACK_REORDER = 0,    /* batches keep their points, only their order (by mean score) changes */
       NRX_ATTACK_RESHUFFLE = 1,  /* points are ordered by score, then cut into batches */
       NRX_ATTACK_REPLACE = 2     /* as reshuffle, with the second half of the epoch repeating the first */ };
/* One epoch: order[0 .. n-1] = indices of the n points in the order they are used, batch by batch. scores
   (n; NULL for uniform): e.g. losses of a surrogate. */
NRX_DEF nrx_status nrx_opt_sample(int policy, int attack, size_t n, size_t batch, const double *scores,
    uint64_t seed, uint64_t epoch, size_t *order, const nrx_env *env);
/* Greedy gradient matching: picks `count` of n points (gradients n x dim, f64) whose mean gradient comes
   closest to `target`. picked: count indices. */
NRX_DEF nrx_status nrx_opt_match_gradient(size_t n, size_t dim, const double *gradients, const double *target,
    size_t count, size_t *picked, const nrx_env *env);

typedef struct nrx_opt_audit {
    size_t missing, repeated;  /* points not seen / seen more than once in the epoch */
    double rank_z;         /* Spearman correlation of position and loss, in standard deviations */
    double lag_z;          /* lag-1 autocorrelation of loss ranks, likewise */
    double runs_z;         /* runs about the median, likewise */
    double smooth_z;       /* von Neumann ratio of ranks, likewise */
    /* dispersion of batch means of ranks against the permutation variance (reshuffling), likewise; 0
       without batch */
    double batch_z;
    double worst;          /* largest |z|: below 3.3 in 99.5 % of honest epochs */
    /* 1: the uniform permutation of the committed seed and epoch; 0: not; -1: no seed given */
    int    replay;
} nrx_opt_audit;
/* Audit of one logged epoch: order (n indices below n), losses (n, by point; NULL = coverage and replay
   only). seed NULL = none committed. */
NRX_DEF nrx_status nrx_opt_audit_order(size_t n, size_t batch, const size_t *order, const double *losses,
    const uint64_t *seed, uint64_t epoch, nrx_opt_audit *audit, const nrx_env *env);

/* ==== operator factorization: W (rows x cols) ~ A B of rank k ==== */
/* Weighted truncation min |L_b^T (W - Wk) L_a|_F (Kronecker-factored Fisher weights): row_weights (rows)
   and col_weights (cols), positive, either may be NULL (= 1): they are the diagonals, entering by their
   square root (FWSVD: row_weights = row sums of the Fisher information). A: rows x k, B: k x cols. */
NRX_DEF nrx_status nrx_opt_factorize(int dtype, size_t rows, size_t cols, const void *w,
    const double *row_weights, const double *col_weights, size_t k, void *a, void *b, const nrx_env *env);
/* Iterative singular value thresholding for min loss(W) + tau |W|_*: W <- SVT_{step tau}(W - step grad).
   loss->lip or desc.step gives the step; with desc.memory = k > 0 the threshold follows the values instead
   so that the rank falls linearly to k over max_iter iterations ("soft rank"). History: loss + tau |W|_*.
   *rank: of the result. */
NRX_DEF nrx_status nrx_opt_isvt(const nrx_functional *loss, size_t rows, size_t cols, double tau, void *w,
    size_t *rank, const nrx_solve_desc *desc, nrx_solve_info *info);

#ifdef __cplusplus
}
#endif
#endif /* NRX_OPTIM_H */

#if (defined(NRX_OPTIM_IMPLEMENTATION) || defined(NRX_IMPLEMENTATION) || defined(NRX_STATIC)) && \
    !defined(NRX_OPTIM_IMPL_DONE_)
#define NRX_OPTIM_IMPL_DONE_
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
/* >>> nrx solve (implementation) */
#ifndef NRXI_SOLVE_VERSION
#define NRXI_SOLVE_VERSION 3993297318
/* Iterative solvers over nrx_linop and nrx_functional. One body serves both precisions: vectors are void pointers, and the few
   vector primitives choose by dtype. Scalars are f64 throughout. Needs the core block only. `who` names the public caller in
   messages. A solver may return NRX_E_CANCELLED, NRX_E_NUMERIC or the status of a failed callback; x is then its last good iterate.

     nrxi_solve_cg(who, A, b, x, d, info)       A symmetric positive definite, from x; history: |r| / |b|
     nrxi_solve_cgls(who, A, b, x, d, info)     min |Ax - b|^2 + damp^2 |x|^2, from x; history: |A^T r - damp^2 x| / |A^T b|
     nrxi_solve_lsqr(who, A, b, x, d, info)     the same by Golub-Kahan bidiagonalization; history: |r|
     nrxi_solve_smooth(who, A, b, f, g, x, d, info)   min 1/2 |Ax - b|^2 + f(x) + g(x) over the box; f by gradient, g by prox; A, f or
                                                g may be NULL; history: objective
     nrxi_solve_pdhg(who, K, g, h, f, x, y, d, info)  min g(x) + h(Kx) + f(x); g, h by prox (g NULL: the box), f by gradient or NULL;
                                                y (K->rows, may be NULL) is the dual variable; history: relative residual
     nrxi_solve_norm(who, A, iterations, norm, env)   ||A|| by the power method: a lower bound, from a fixed starting vector */

typedef double nrxi_sum; /* stays f64 in f32 twins */

/* total + carry += block, compensated (Neumaier) */
NRXI_FN void nrxi_sum_add(nrxi_sum *total, nrxi_sum *carry, nrxi_sum block)
{
    nrxi_sum t = *total + block;
    *carry += fabs(*total) >= fabs(block) ? (*total - t) + block : (block - t) + *total;
    *total = t;
}

/* >>> twin f64 */
/* Eight running sums, folded every 1024 terms into a compensated total. */
NRXI_FN nrxi_sum nrxi_vec_dot_f64(size_t n, const double *x, const double *y)
{
    nrxi_sum total = 0.0, carry = 0.0;
    size_t i = 0, j, end;
    while (i < n) {
        nrxi_sum s[8] = {0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0};
        end = n - i > 1024 ? i + 1024 : n;
        for (; i + 8 <= end; i += 8)
            for (j = 0; j < 8; j++) s[j] += (nrxi_sum)x[i + j] * (nrxi_sum)y[i + j];
        for (; i < end; i++) s[i & 7] += (nrxi_sum)x[i] * (nrxi_sum)y[i];
        nrxi_sum_add(&total, &carry, ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7])));
    }
    return total + carry;
}

/* |x - y|^2 */
NRXI_FN nrxi_sum nrxi_vec_dist2_f64(size_t n, const double *x, const double *y)
{
    nrxi_sum total = 0.0;
    size_t i = 0, j, end;
    while (i < n) {
        nrxi_sum s[8] = {0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0};
        end = n - i > 1024 ? i + 1024 : n;
        for (; i + 8 <= end; i += 8)
            for (j = 0; j < 8; j++) { nrxi_sum d = (nrxi_sum)x[i + j] - (nrxi_sum)y[i + j]; s[j] += d * d; }
        for (; i < end; i++) { nrxi_sum d = (nrxi_sum)x[i] - (nrxi_sum)y[i]; s[i & 7] += d * d; }
        total += ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
    }
    return total;
}

/* z = a x + b y; z may be x or y, b = 0 never reads y */
NRXI_FN void nrxi_vec_lin_f64(size_t n, double a, const double *x, double b, const double *y, double *z)
{
    size_t i = 0, j;
    if (b == 0) {
        for (i = 0; i < n; i++) z[i] = a * x[i];
        return;
    }
    for (; i + 8 <= n; i += 8) {
        double t[8]; /* loads before stores: the compiler may use vectors */
        for (j = 0; j < 8; j++) t[j] = a * x[i + j] + b * y[i + j];
        for (j = 0; j < 8; j++) z[i + j] = t[j];
    }
    for (; i < n; i++) z[i] = a * x[i] + b * y[i];
}

NRXI_FN void nrxi_vec_clamp_f64(size_t n, double *x, int use_lower, double lower, int use_upper, double upper)
{
    size_t i;
    if (use_lower) for (i = 0; i < n; i++) if (x[i] < lower) x[i] = lower;
    if (use_upper) for (i = 0; i < n; i++) if (x[i] > upper) x[i] = upper;
}
/* === twin f32 */
/* Eight running sums, folded every 1024 terms into a compensated total. */
NRXI_FN nrxi_sum nrxi_vec_dot_f32(size_t n, const float *x, const float *y)
{
    nrxi_sum total = 0.0, carry = 0.0;
    size_t i = 0, j, end;
    while (i < n) {
        nrxi_sum s[8] = {0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0};
        end = n - i > 1024 ? i + 1024 : n;
        for (; i + 8 <= end; i += 8)
            for (j = 0; j < 8; j++) s[j] += (nrxi_sum)x[i + j] * (nrxi_sum)y[i + j];
        for (; i < end; i++) s[i & 7] += (nrxi_sum)x[i] * (nrxi_sum)y[i];
        nrxi_sum_add(&total, &carry, ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7])));
    }
    return total + carry;
}

/* |x - y|^2 */
NRXI_FN nrxi_sum nrxi_vec_dist2_f32(size_t n, const float *x, const float *y)
{
    nrxi_sum total = 0.0;
    size_t i = 0, j, end;
    while (i < n) {
        nrxi_sum s[8] = {0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0};
        end = n - i > 1024 ? i + 1024 : n;
        for (; i + 8 <= end; i += 8)
            for (j = 0; j < 8; j++) { nrxi_sum d = (nrxi_sum)x[i + j] - (nrxi_sum)y[i + j]; s[j] += d * d; }
        for (; i < end; i++) { nrxi_sum d = (nrxi_sum)x[i] - (nrxi_sum)y[i]; s[i & 7] += d * d; }
        total += ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
    }
    return total;
}

/* z = a x + b y; z may be x or y, b = 0 never reads y */
NRXI_FN void nrxi_vec_lin_f32(size_t n, float a, const float *x, float b, const float *y, float *z)
{
    size_t i = 0, j;
    if (b == 0) {
        for (i = 0; i < n; i++) z[i] = a * x[i];
        return;
    }
    for (; i + 8 <= n; i += 8) {
        float t[8]; /* loads before stores: the compiler may use vectors */
        for (j = 0; j < 8; j++) t[j] = a * x[i + j] + b * y[i + j];
        for (j = 0; j < 8; j++) z[i + j] = t[j];
    }
    for (; i < n; i++) z[i] = a * x[i] + b * y[i];
}

NRXI_FN void nrxi_vec_clamp_f32(size_t n, float *x, int use_lower, float lower, int use_upper, float upper)
{
    size_t i;
    if (use_lower) for (i = 0; i < n; i++) if (x[i] < lower) x[i] = lower;
    if (use_upper) for (i = 0; i < n; i++) if (x[i] > upper) x[i] = upper;
}
/* <<< twin */

NRXI_FN double nrxi_vec_dot(size_t n, int dtype, const void *x, const void *y)
{
    return dtype == NRX_F32 ? nrxi_vec_dot_f32(n, (const float *)x, (const float *)y)
                            : nrxi_vec_dot_f64(n, (const double *)x, (const double *)y);
}
NRXI_FN double nrxi_vec_norm(size_t n, int dtype, const void *x) { return sqrt(nrxi_vec_dot(n, dtype, x, x)); }
NRXI_FN double nrxi_vec_dist(size_t n, int dtype, const void *x, const void *y)
{
    return sqrt(dtype == NRX_F32 ? nrxi_vec_dist2_f32(n, (const float *)x, (const float *)y)
                                 : nrxi_vec_dist2_f64(n, (const double *)x, (const double *)y));
}
NRXI_FN void nrxi_vec_lin(size_t n, int dtype, double a, const void *x, double b, const void *y, void *z)
{
    if (dtype == NRX_F32) nrxi_vec_lin_f32(n, (float)a, (const float *)x, (float)b, (const float *)y, (float *)z);
    else nrxi_vec_lin_f64(n, a, (const double *)x, b, (const double *)y, (double *)z);
}
/* y += a x */
NRXI_FN void nrxi_vec_axpy(size_t n, int dtype, double a, const void *x, void *y) { nrxi_vec_lin(n, dtype, a, x, 1.0, y, y); }
NRXI_FN void nrxi_vec_copy(size_t n, int dtype, const void *x, void *y)
{
    if (x != y && n) memcpy(y, x, n * nrxi_dtype_size(dtype));
}
NRXI_FN void nrxi_vec_clamp(size_t n, int dtype, void *x, const nrx_solve_desc *d)
{
    if (dtype == NRX_F32) nrxi_vec_clamp_f32(n, (float *)x, d->use_lower, (float)d->lower, d->use_upper, (float)d->upper);
    else nrxi_vec_clamp_f64(n, (double *)x, d->use_lower, d->lower, d->use_upper, d->upper);
}
NRXI_FN void nrxi_vec_scale(size_t n, int dtype, double a, void *x) { nrxi_vec_lin(n, dtype, a, x, 0.0, x, x); }

/* ---- what all solvers share ---- */

typedef struct nrxi_solver {
    const char *who;
    nrx_solve_desc d;      /* resolved */
    nrx_solve_info *info;
    nrx_solve_info own;    /* used when the caller passes no info */
    int dtype;
    double eps;            /* unit roundoff of dtype, times 2 */
    unsigned char *memory; /* all vectors */
    size_t used;
    nrx_status status;
} nrxi_solver;

NRXI_FN nrx_status nrxi_solver_begin(nrxi_solver *s, const char *who, int dtype, const nrx_solve_desc *d, nrx_solve_info *info)
{
    memset(s, 0, sizeof *s);
    s->who = who;
    if (d) s->d = *d;
    s->info = info ? info : &s->own;
    memset(s->info, 0, sizeof *s->info);
    s->info->gap = -1.0;
    s->dtype = dtype;
    s->eps = dtype == NRX_F32 ? 1.1920928955078125e-7 : 2.220446049250313e-16;
    if (dtype != NRX_F32 && dtype != NRX_F64) return nrxi_fail(&s->d.env, NRX_E_ARG, "%s: dtype %d, expected NRX_F32 or NRX_F64", who, dtype);
    if (s->d.max_iter == 0) s->d.max_iter = 1000;
    if (s->d.tol == 0.0) s->d.tol = dtype == NRX_F32 ? 1e-5 : 1e-8;
    if (s->d.check_every == 0) s->d.check_every = 10;
    if (s->d.ratio == 0.0) s->d.ratio = 1.0;
    if (!nrxi_finite_f64(&s->d.tol) || !(s->d.step >= 0.0) || !(s->d.ratio > 0.0) || !(s->d.damp >= 0.0))
        return nrxi_fail(&s->d.env, NRX_E_ARG, "%s: tol %g, step %g, ratio %g, damp %g: expected finite values, step and damp >= 0, ratio > 0", who,
                         s->d.tol, s->d.step, s->d.ratio, s->d.damp);
    if (s->d.use_lower && s->d.use_upper && !(s->d.lower <= s->d.upper))
        return nrxi_fail(&s->d.env, NRX_E_ARG, "%s: lower bound %g is above the upper bound %g", who, s->d.lower, s->d.upper);
    return NRX_OK;
}

/* Room for `vectors` of n and `rows` of m elements, each starting on 64 bytes. */
NRXI_FN nrx_status nrxi_solver_room(nrxi_solver *s, size_t vectors, size_t n, size_t rows, size_t m)
{
    size_t size = nrxi_dtype_size(s->dtype), a, b;
    if (n > (size_t)-1 / 64 || m > (size_t)-1 / 64) return nrxi_fail(&s->d.env, NRX_E_RANGE, "%s: %zu unknowns, %zu rows overflow", s->who, n, m);
    if (!nrxi_mul_ok((n * size + 63) & ~(size_t)63, vectors, &a) || !nrxi_mul_ok((m * size + 63) & ~(size_t)63, rows, &b)
        || !nrxi_add_ok(a, b, &a))
        return nrxi_fail(&s->d.env, NRX_E_RANGE, "%s: workspace for %zu unknowns, %zu rows overflows", s->who, n, m);
    s->memory = (unsigned char *)nrxi_calloc(&s->d.env, a, 1);
    if (!s->memory) return nrxi_fail(&s->d.env, NRX_E_NOMEM, "%s: no memory for %zu bytes", s->who, a);
    return NRX_OK;
}

NRXI_FN void *nrxi_solver_vector(nrxi_solver *s, size_t n)
{
    unsigned char *p = s->memory + s->used;
    s->used += (n * nrxi_dtype_size(s->dtype) + 63) & ~(size_t)63;
    return p;
}

NRXI_FN int nrxi_solver_stop(nrxi_solver *s, int stop)
{
    s->info->stop = stop;
    if (stop == NRX_STOP_CANCELLED) s->status = NRX_E_CANCELLED;
    if (stop == NRX_STOP_NUMERIC)
        s->status = nrxi_fail(&s->d.env, NRX_E_NUMERIC, "%s: a value is not finite after %zu iterations", s->who, s->info->iterations);
    return 1;
}

NRXI_FN nrx_status nrxi_solver_end(nrxi_solver *s)
{
    nrxi_free(&s->d.env, s->memory);
    if (s->info->stop == NRX_STOP_NONE) s->info->stop = NRX_STOP_MAX_ITER;
    return s->status;
}

/* Callbacks; non-zero when the caller must stop. */
NRXI_FN int nrxi_solver_called(nrxi_solver *s, nrx_status status, const char *what)
{
    if (status == NRX_OK) return 0;
    s->info->stop = status == NRX_E_CANCELLED ? NRX_STOP_CANCELLED : NRX_STOP_CALLBACK;
    s->status = nrxi_fail(&s->d.env, status, "%s: %s failed: %s", s->who, what, nrx_status_string(status));
    return 1;
}
NRXI_FN int nrxi_solver_apply(nrxi_solver *s, const nrx_linop *a, const void *x, void *y)
{
    s->info->applies++;
    return nrxi_solver_called(s, a->apply(a->user, x, y), "the operator's apply");
}
NRXI_FN int nrxi_solver_adjoint(nrxi_solver *s, const nrx_linop *a, const void *y, void *x)
{
    s->info->applies++;
    return nrxi_solver_called(s, a->adjoint(a->user, y, x), "the operator's adjoint");
}
NRXI_FN int nrxi_solver_eval(nrxi_solver *s, const nrx_functional *f, const void *x, double *value, void *grad)
{
    s->info->evals++;
    return nrxi_solver_called(s, f->eval(f->user, x, value, grad), "the functional's eval");
}
NRXI_FN int nrxi_solver_prox(nrxi_solver *s, const nrx_functional *f, double tau, const void *v, void *x)
{
    s->info->evals++;
    return nrxi_solver_called(s, f->prox(f->user, tau, v, x), "the functional's prox");
}

/* End of iteration `done`: history and progress; non-zero when the user cancels. */
NRXI_FN int nrxi_solver_report(nrxi_solver *s, size_t done, double value)
{
    s->info->iterations = done;
    if (s->d.history && s->info->history_count < s->d.history_size) s->d.history[s->info->history_count++] = value;
    if (nrxi_progress(&s->d.env, done, s->d.max_iter, value)) return nrxi_solver_stop(s, NRX_STOP_CANCELLED);
    return 0;
}

NRXI_FN nrx_status nrxi_solver_check_linop(nrxi_solver *s, const nrx_linop *a, int square, int adjoint)
{
    if (!a->apply || (adjoint && !a->adjoint))
        return nrxi_fail(&s->d.env, NRX_E_ARG, "%s: the operator has no %s function", s->who, a->apply ? "adjoint" : "apply");
    if (a->dtype != s->dtype) return nrxi_fail(&s->d.env, NRX_E_ARG, "%s: operator of dtype %d, expected %d", s->who, a->dtype, s->dtype);
    if (square && a->rows != a->cols)
        return nrxi_fail(&s->d.env, NRX_E_SHAPE, "%s: operator of %zux%zu, expected a square one", s->who, a->rows, a->cols);
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_solver_check_functional(nrxi_solver *s, const nrx_functional *f, size_t n, int eval, int prox)
{
    if (!f) return NRX_OK;
    if ((eval && !f->eval) || (prox && !f->prox))
        return nrxi_fail(&s->d.env, NRX_E_ARG, "%s: a functional has no %s function", s->who, eval && !f->eval ? "eval" : "prox");
    if (f->n != n || f->dtype != s->dtype)
        return nrxi_fail(&s->d.env, NRX_E_SHAPE, "%s: functional of %zu entries, dtype %d; expected %zu, %d", s->who, f->n, f->dtype, n, s->dtype);
    return NRX_OK;
}

/* ||A|| from below; v: n, w: m elements of workspace. Non-zero: stop. */
NRXI_FN int nrxi_solver_power(nrxi_solver *s, const nrx_linop *a, int iterations, void *v, void *w, double *norm)
{
    size_t i, n = a->cols;
    uint32_t h = 12345u;
    double len;
    int k;
    *norm = 0.0;
    for (i = 0; i < n; i++) { /* a fixed vector with entries in [0.5, 1.5): overlaps smooth and rough leading vectors alike */
        h = h * 1664525u + 1013904223u;
        len = 0.5 + (double)(h >> 8) / 16777216.0;
        if (s->dtype == NRX_F32) ((float *)v)[i] = (float)len;
        else ((double *)v)[i] = len;
    }
    for (k = 0; k < iterations; k++) {
        len = nrxi_vec_norm(n, s->dtype, v);
        if (!nrxi_finite_f64(&len)) return nrxi_solver_stop(s, NRX_STOP_NUMERIC);
        if (!(len > 0.0)) return 0;
        nrxi_vec_scale(n, s->dtype, 1.0 / len, v);
        if (nrxi_solver_apply(s, a, v, w)) return 1;
        len = nrxi_vec_norm(a->rows, s->dtype, w);
        if (len > *norm) *norm = len;
        if (nrxi_solver_adjoint(s, a, w, v)) return 1;
    }
    return 0;
}

NRXI_FN nrx_status nrxi_solve_norm(const char *who, const nrx_linop *a, int iterations, double *norm, const nrx_env *env)
{
    nrxi_solver s;
    nrx_solve_desc d = NRX_ZERO;
    void *v, *w;
    *norm = 0.0;
    if (env) d.env = *env;
    s.status = nrxi_solver_begin(&s, who, a->dtype, &d, NULL);
    if (s.status != NRX_OK || (s.status = nrxi_solver_check_linop(&s, a, 0, 1)) != NRX_OK
        || (s.status = nrxi_solver_room(&s, 1, a->cols, 1, a->rows)) != NRX_OK) return s.status;
    v = nrxi_solver_vector(&s, a->cols);
    w = nrxi_solver_vector(&s, a->rows);
    (void)nrxi_solver_power(&s, a, iterations, v, w, norm);
    return nrxi_solver_end(&s);
}

/* ---- Krylov methods ---- */

/* Conjugate gradients (Hestenes and Stiefel 1952); the residual is recomputed every 50 iterations. */
NRXI_FN nrx_status nrxi_solve_cg(const char *who, const nrx_linop *a, const void *b, void *x, const nrx_solve_desc *d, nrx_solve_info *info)
{
    nrxi_solver s;
    size_t n = a->cols, k;
    int t = a->dtype;
    void *r, *p, *q;
    double rr, bb, pq, old;
    nrx_status status = nrxi_solver_begin(&s, who, t, d, info);
    if (status != NRX_OK || (status = nrxi_solver_check_linop(&s, a, 1, 0)) != NRX_OK || (status = nrxi_solver_room(&s, 3, n, 0, 0)) != NRX_OK)
        return status;
    r = nrxi_solver_vector(&s, n);
    p = nrxi_solver_vector(&s, n);
    q = nrxi_solver_vector(&s, n);
    bb = nrxi_vec_norm(n, t, b);
    if (nrxi_solver_apply(&s, a, x, q)) return nrxi_solver_end(&s);
    nrxi_vec_lin(n, t, 1.0, b, -1.0, q, r);
    nrxi_vec_copy(n, t, r, p);
    rr = nrxi_vec_dot(n, t, r, r);
    if (!nrxi_finite_f64(&rr)) nrxi_solver_stop(&s, NRX_STOP_NUMERIC);
    else if (rr == 0.0) nrxi_solver_stop(&s, NRX_STOP_EXACT);
    if (bb == 0.0) bb = sqrt(rr);
    s.info->residual = bb > 0.0 ? sqrt(rr) / bb : 0.0;
    for (k = 1; k <= s.d.max_iter && !s.info->stop; k++) {
        if (nrxi_solver_apply(&s, a, p, q)) break;
        pq = nrxi_vec_dot(n, t, p, q);
        if (!nrxi_finite_f64(&pq)) { nrxi_solver_stop(&s, NRX_STOP_NUMERIC); break; }
        if (pq <= 0.0) { nrxi_solver_stop(&s, sqrt(rr) <= 4.0 * s.eps * bb ? NRX_STOP_STALLED : NRX_STOP_INDEFINITE); break; }
        nrxi_vec_axpy(n, t, rr / pq, p, x);
        if (k % 50 == 0) {
            if (nrxi_solver_apply(&s, a, x, q)) break;
            nrxi_vec_lin(n, t, 1.0, b, -1.0, q, r);
        } else nrxi_vec_axpy(n, t, -rr / pq, q, r);
        old = rr;
        rr = nrxi_vec_dot(n, t, r, r);
        s.info->residual = sqrt(rr) / bb;
        if (nrxi_solver_report(&s, k, s.info->residual)) break;
        if (s.d.discrepancy > 0.0 && sqrt(rr) <= s.d.discrepancy) { nrxi_solver_stop(&s, NRX_STOP_DISCREPANCY); break; }
        if (s.info->residual <= s.d.tol || rr == 0.0) { nrxi_solver_stop(&s, NRX_STOP_TOL); break; }
        nrxi_vec_lin(n, t, 1.0, r, rr / old, p, p);
    }
    return nrxi_solver_end(&s);
}

/* CGLS (Hestenes and Stiefel 1952; Bjorck, Numerical Methods for Least Squares Problems, sec. 7.4). */
NRXI_FN nrx_status nrxi_solve_cgls(const char *who, const nrx_linop *a, const void *b, void *x, const nrx_solve_desc *d, nrx_solve_info *info)
{
    nrxi_solver s;
    size_t n = a->cols, m = a->rows, k;
    int t = a->dtype;
    void *r, *q, *g, *p;
    double gg, old, pp, qq, rr, scale, d2, norm2 = 0.0;
    nrx_status status = nrxi_solver_begin(&s, who, t, d, info);
    if (status != NRX_OK || (status = nrxi_solver_check_linop(&s, a, 0, 1)) != NRX_OK || (status = nrxi_solver_room(&s, 2, n, 2, m)) != NRX_OK)
        return status;
    r = nrxi_solver_vector(&s, m);
    q = nrxi_solver_vector(&s, m);
    g = nrxi_solver_vector(&s, n);
    p = nrxi_solver_vector(&s, n);
    d2 = s.d.damp * s.d.damp;
    if (nrxi_solver_adjoint(&s, a, b, g)) return nrxi_solver_end(&s);
    scale = nrxi_vec_norm(n, t, g);
    if (nrxi_vec_dot(n, t, x, x) != 0.0) {
        if (nrxi_solver_apply(&s, a, x, q)) return nrxi_solver_end(&s);
        nrxi_vec_lin(m, t, 1.0, b, -1.0, q, r);
        if (nrxi_solver_adjoint(&s, a, r, g)) return nrxi_solver_end(&s);
        nrxi_vec_axpy(n, t, -d2, x, g);
    } else nrxi_vec_copy(m, t, b, r);
    nrxi_vec_copy(n, t, g, p);
    gg = nrxi_vec_dot(n, t, g, g);
    if (scale == 0.0) scale = sqrt(gg);
    if (!nrxi_finite_f64(&gg) || !nrxi_finite_f64(&scale)) nrxi_solver_stop(&s, NRX_STOP_NUMERIC);
    else if (gg == 0.0) nrxi_solver_stop(&s, NRX_STOP_EXACT);
    else s.info->residual = sqrt(gg) / scale;
    for (k = 1; k <= s.d.max_iter && !s.info->stop; k++) {
        if (nrxi_solver_apply(&s, a, p, q)) break;
        pp = nrxi_vec_dot(n, t, p, p);
        qq = nrxi_vec_dot(m, t, q, q) + d2 * pp;
        if (!nrxi_finite_f64(&qq)) { nrxi_solver_stop(&s, NRX_STOP_NUMERIC); break; }
        if (qq <= 0.0) { nrxi_solver_stop(&s, NRX_STOP_STALLED); break; }
        nrxi_vec_axpy(n, t, gg / qq, p, x);
        nrxi_vec_axpy(m, t, -gg / qq, q, r);
        if (nrxi_solver_adjoint(&s, a, r, g)) break;
        if (d2 > 0.0) nrxi_vec_axpy(n, t, -d2, x, g);
        old = gg;
        gg = nrxi_vec_dot(n, t, g, g);
        s.info->residual = sqrt(gg) / scale;
        if (nrxi_solver_report(&s, k, s.info->residual)) break;
        rr = nrxi_vec_dot(m, t, r, r);
        if (s.d.discrepancy > 0.0 && sqrt(rr) <= s.d.discrepancy) { nrxi_solver_stop(&s, NRX_STOP_DISCREPANCY); break; }
        if (s.info->residual <= s.d.tol || gg == 0.0) { nrxi_solver_stop(&s, NRX_STOP_TOL); break; }
        /* what is left of the gradient is rounding: further directions would be made of it, and lead away from x */
        if (qq > norm2 * pp) norm2 = qq / pp;
        if (d2 > 0.0) rr += d2 * nrxi_vec_dot(n, t, x, x);
        if (gg <= s.eps * s.eps * norm2 * rr) { nrxi_solver_stop(&s, NRX_STOP_STALLED); break; }
        nrxi_vec_lin(n, t, 1.0, g, gg / old, p, p);
    }
    s.info->objective = 0.5 * nrxi_vec_dot(m, t, r, r) + 0.5 * d2 * nrxi_vec_dot(n, t, x, x);
    return nrxi_solver_end(&s);
}

/* LSQR (Paige and Saunders 1982), with their stopping tests; damping by a second rotation. */
NRXI_FN nrx_status nrxi_solve_lsqr(const char *who, const nrx_linop *a, const void *b, void *x, const nrx_solve_desc *d, nrx_solve_info *info)
{
    nrxi_solver s;
    size_t n = a->cols, m = a->rows, k;
    int t = a->dtype;
    void *u, *v, *w, *q, *z;
    double alpha, beta, rhobar, phibar, bnorm, anorm2 = 0.0, ddnorm = 0.0, res2 = 0.0, test2, damp;
    nrx_status status = nrxi_solver_begin(&s, who, t, d, info);
    if (status != NRX_OK || (status = nrxi_solver_check_linop(&s, a, 0, 1)) != NRX_OK || (status = nrxi_solver_room(&s, 3, n, 2, m)) != NRX_OK)
        return status;
    u = nrxi_solver_vector(&s, m);
    q = nrxi_solver_vector(&s, m);
    v = nrxi_solver_vector(&s, n);
    w = nrxi_solver_vector(&s, n);
    z = nrxi_solver_vector(&s, n);
    damp = s.d.damp;
    bnorm = nrxi_vec_norm(m, t, b);
    if (nrxi_solver_apply(&s, a, x, q)) return nrxi_solver_end(&s);
    nrxi_vec_lin(m, t, 1.0, b, -1.0, q, u);
    beta = nrxi_vec_norm(m, t, u);
    if (bnorm == 0.0) bnorm = beta;
    if (!nrxi_finite_f64(&beta)) { nrxi_solver_stop(&s, NRX_STOP_NUMERIC); return nrxi_solver_end(&s); }
    if (damp > 0.0 && nrxi_vec_dot(n, t, x, x) != 0.0)
        s.status = nrxi_fail(&s.d.env, NRX_E_ARG, "%s: damping needs the starting point 0", who);
    if (beta > 0.0) nrxi_vec_scale(m, t, 1.0 / beta, u);
    if (s.status != NRX_OK || nrxi_solver_adjoint(&s, a, u, v)) return nrxi_solver_end(&s);
    alpha = nrxi_vec_norm(n, t, v);
    if (!nrxi_finite_f64(&alpha)) { nrxi_solver_stop(&s, NRX_STOP_NUMERIC); return nrxi_solver_end(&s); }
    if (alpha * beta == 0.0) nrxi_solver_stop(&s, NRX_STOP_EXACT);
    else nrxi_vec_scale(n, t, 1.0 / alpha, v);
    nrxi_vec_copy(n, t, v, w);
    rhobar = alpha;
    phibar = beta;
    s.info->residual = 1.0;
    for (k = 1; k <= s.d.max_iter && !s.info->stop; k++) {
        double rho1, c, sn, theta, phi, psi = 0.0, rnorm;
        if (nrxi_solver_apply(&s, a, v, q)) break;
        nrxi_vec_lin(m, t, 1.0, q, -alpha, u, u);
        beta = nrxi_vec_norm(m, t, u);
        if (!nrxi_finite_f64(&beta)) { nrxi_solver_stop(&s, NRX_STOP_NUMERIC); break; }
        anorm2 += alpha * alpha + beta * beta + damp * damp;
        if (beta > 0.0) nrxi_vec_scale(m, t, 1.0 / beta, u);
        if (nrxi_solver_adjoint(&s, a, u, z)) break;
        nrxi_vec_lin(n, t, 1.0, z, -beta, v, v);
        alpha = nrxi_vec_norm(n, t, v);
        if (!nrxi_finite_f64(&alpha)) { nrxi_solver_stop(&s, NRX_STOP_NUMERIC); break; }
        if (alpha > 0.0) nrxi_vec_scale(n, t, 1.0 / alpha, v);
        rho1 = rhobar;
        if (damp > 0.0) {
            rho1 = hypot(rhobar, damp);
            psi = damp / rho1 * phibar;
            phibar *= rhobar / rho1;
        }
        {
            double rho = hypot(rho1, beta);
            if (!(rho > 0.0)) { nrxi_solver_stop(&s, NRX_STOP_STALLED); break; }
            c = rho1 / rho;
            sn = beta / rho;
            theta = sn * alpha;
            rhobar = -c * alpha;
            phi = c * phibar;
            phibar *= sn;
            nrxi_vec_axpy(n, t, phi / rho, w, x);
            ddnorm += nrxi_vec_dot(n, t, w, w) / (rho * rho);
            nrxi_vec_lin(n, t, 1.0, v, -theta / rho, w, w);
        }
        res2 += psi * psi;
        rnorm = sqrt(phibar * phibar + res2);
        /* |A^T r| = alpha |c phi| (Paige and Saunders, sec. 5) */
        test2 = rnorm > 0.0 ? alpha * fabs(sn * phi) / (sqrt(anorm2) * rnorm) : 0.0;
        s.info->residual = test2;
        s.info->objective = 0.5 * rnorm * rnorm;
        s.info->norm = sqrt(anorm2);
        if (nrxi_solver_report(&s, k, rnorm)) break;
        if (s.d.discrepancy > 0.0 && rnorm <= s.d.discrepancy) { nrxi_solver_stop(&s, NRX_STOP_DISCREPANCY); break; }
        if (test2 <= s.d.tol || rnorm <= s.d.tol * bnorm || alpha == 0.0 || beta == 0.0) { nrxi_solver_stop(&s, NRX_STOP_TOL); break; }
        if (test2 <= s.eps) { nrxi_solver_stop(&s, NRX_STOP_STALLED); break; } /* as in CGLS */
        if (sqrt(anorm2 * ddnorm) > 0.1 / s.eps) { nrxi_solver_stop(&s, NRX_STOP_CONDITION); break; }
    }
    return nrxi_solver_end(&s);
}

/* ---- gradient methods: min 1/2 |Ax - b|^2 + f(x) + g(x) over the box ---- */

typedef struct nrxi_composite {
    const nrx_linop *a;
    const void *b;
    const nrx_functional *f, *g;
    size_t n, m;
    double step;
    int known;             /* step comes from proven moduli: nothing to check */
    double value_y;        /* f at the point of the last gradient */
    double value_n;        /* f at the last checked step, when have_n */
    int    have_n;
} nrxi_composite;

/* grad of the smooth part at y, whose image A y is ay; res: m elements of workspace, part: n (keeps grad f). Non-zero: stop. */
NRXI_FN int nrxi_composite_grad(nrxi_solver *s, nrxi_composite *p, const void *y, const void *ay, void *res, void *part, void *grad)
{
    p->value_y = 0.0;
    p->have_n = 0;
    if (p->a) {
        nrxi_vec_lin(p->m, s->dtype, 1.0, ay, -1.0, p->b, res);
        if (nrxi_solver_adjoint(s, p->a, res, grad)) return 1;
    } else memset(grad, 0, p->n * nrxi_dtype_size(s->dtype));
    if (p->f) {
        if (nrxi_solver_eval(s, p->f, y, p->known ? NULL : &p->value_y, part)) return 1;
        nrxi_vec_axpy(p->n, s->dtype, 1.0, part, grad);
    }
    return 0;
}

/* xn = prox(y - step grad), an = A xn; shortens the step until the quadratic model bounds the smooth part. Non-zero: stop. */
NRXI_FN int nrxi_composite_step(nrxi_solver *s, nrxi_composite *p, const void *y, const void *ay, const void *part, const void *grad,
                                void *xn, void *an)
{
    int t = s->dtype, tries;
    for (tries = 0;; tries++) {
        double d2, curve = 0.0, ad, value, slack;
        nrxi_vec_lin(p->n, t, 1.0, y, -p->step, grad, xn);
        if (p->g && nrxi_solver_prox(s, p->g, p->step, xn, xn)) return 1;
        nrxi_vec_clamp(p->n, t, xn, &s->d);
        d2 = nrxi_vec_dist(p->n, t, xn, y);
        d2 *= d2;
        if (!nrxi_finite_f64(&d2)) return nrxi_solver_stop(s, NRX_STOP_NUMERIC);
        if (p->a) {
            if (nrxi_solver_apply(s, p->a, xn, an)) return 1;
            if (!p->known) { ad = nrxi_vec_dist(p->m, t, an, ay); curve = 0.5 * ad * ad; }
        }
        if (p->known) return 0;
        slack = 0.0;
        if (p->f) {
            if (nrxi_solver_eval(s, p->f, xn, &value, NULL)) return 1;
            p->value_n = value;
            p->have_n = 1;
            if (!nrxi_finite_f64(&value)) value = 1e300; /* shorten until it is */
            curve += value - p->value_y - (nrxi_vec_dot(p->n, t, part, xn) - nrxi_vec_dot(p->n, t, part, y));
            slack = 8.0 * s->eps * (fabs(value) + fabs(p->value_y)) + 8.0 * s->eps * nrxi_vec_norm(p->n, t, part) * nrxi_vec_norm(p->n, t, y);
        }
        if (curve <= 0.5 * d2 / p->step * (1.0 + 64.0 * s->eps) + slack || tries >= 60) return 0;
        s->info->restarts++;
        p->step *= 0.5;
    }
}

/* Objective at x with image ax; fresh: x was not just reached by nrxi_composite_step. Non-zero: stop. */
NRXI_FN int nrxi_composite_value(nrxi_solver *s, nrxi_composite *p, const void *x, const void *ax, int fresh, double *value)
{
    double v = 0.0, r;
    if (p->a) { r = nrxi_vec_dist(p->m, s->dtype, ax, p->b); v = 0.5 * r * r; }
    if (p->f && p->have_n && !fresh) v += p->value_n;
    else if (p->f) { if (nrxi_solver_eval(s, p->f, x, &r, NULL)) return 1; v += r; }
    if (p->g && p->g->eval) { if (nrxi_solver_eval(s, p->g, x, &r, NULL)) return 1; v += r; }
    *value = v;
    return 0;
}

/* First step: given, from moduli, or from the power method and a gradient difference. x0 with gradient part at hand. */
NRXI_FN int nrxi_composite_start(nrxi_solver *s, nrxi_composite *p, const void *x, const void *part, void *v, void *v2, void *w)
{
    double lip = 0.0, norm, h, g0;
    p->known = 1;
    if (s->d.step > 0.0) { p->step = s->d.step; return 0; }
    if (p->a) {
        norm = p->a->norm;
        if (!(norm > 0.0)) {
            if (nrxi_solver_power(s, p->a, 12, v, w, &norm)) return 1;
            p->known = 0;
        }
        s->info->norm = norm;
        lip += norm * norm;
    }
    if (p->f && p->f->lip > 0.0) lip += p->f->lip;
    else if (p->f) { /* |grad f(x - h grad) - grad f(x)| / |h grad| */
        p->known = 0;
        g0 = nrxi_vec_norm(p->n, s->dtype, part);
        if (g0 > 0.0) {
            h = 1e-3 * (1.0 + nrxi_vec_norm(p->n, s->dtype, x)) / g0;
            nrxi_vec_lin(p->n, s->dtype, 1.0, x, -h, part, v);
            if (nrxi_solver_eval(s, p->f, v, NULL, v2)) return 1;
            norm = nrxi_vec_dist(p->n, s->dtype, v2, part) / (h * g0);
            if (nrxi_finite_f64(&norm)) lip += norm;
        }
    }
    p->step = lip > 0.0 ? 1.0 / lip : 1.0;
    if (!nrxi_finite_f64(&p->step)) p->step = 1.0;
    return 0;
}

/* Proximal gradient, with Nesterov's extrapolation and gradient restart (Beck and Teboulle 2009; O'Donoghue and Candes 2015). */
NRXI_FN void nrxi_composite_accelerated(nrxi_solver *s, nrxi_composite *p, void *x, int momentum)
{
    size_t n = p->n, m = p->m, k;
    int t = s->dtype, judge = s->d.history != NULL || s->d.env.progress != NULL;
    void *x1 = nrxi_solver_vector(s, n), *y = nrxi_solver_vector(s, n), *grad = nrxi_solver_vector(s, n), *part = nrxi_solver_vector(s, n);
    void *ax = nrxi_solver_vector(s, m), *a1 = nrxi_solver_vector(s, m), *ay = nrxi_solver_vector(s, m), *res = nrxi_solver_vector(s, m);
    double tk = 1.0, tn, scale = 0.0, objective = 0.0, best = HUGE_VAL, mu = (p->f ? p->f->mu : 0.0) + (p->g ? p->g->mu : 0.0), move;
    nrxi_vec_clamp(n, t, x, &s->d);
    nrxi_vec_copy(n, t, x, y);
    if (p->a) {
        if (nrxi_solver_adjoint(s, p->a, p->b, grad)) return;
        scale = nrxi_vec_norm(n, t, grad);
        if (nrxi_solver_apply(s, p->a, x, ax)) return;
        nrxi_vec_copy(m, t, ax, ay);
    }
    if (nrxi_composite_grad(s, p, y, ay, res, part, grad) || nrxi_composite_start(s, p, x, part, x1, y, a1)) return;
    nrxi_vec_copy(n, t, x, y);
    move = nrxi_vec_norm(n, t, grad);
    if (!nrxi_finite_f64(&move)) { nrxi_solver_stop(s, NRX_STOP_NUMERIC); return; }
    if (scale == 0.0) scale = move > 0.0 ? move : 1.0;
    for (k = 1; k <= s->d.max_iter; k++) {
        if (k > 1 && nrxi_composite_grad(s, p, y, ay, res, part, grad)) return;
        if (!momentum && !p->known) p->step *= 1.2; /* let an unlucky estimate recover; the check below guards it */
        if (nrxi_composite_step(s, p, y, ay, part, grad, x1, a1)) return;
        move = nrxi_vec_dist(n, t, x1, y) / p->step;
        s->info->residual = move / scale;
        if (judge) {
            if (nrxi_composite_value(s, p, x1, a1, 0, &objective)) return;
            if (momentum && objective > best && tk > 1.0 && !s->d.no_restart) { /* step back to x and drop the momentum */
                tk = 1.0;
                s->info->restarts++;
                nrxi_vec_copy(n, t, x, y);
                nrxi_vec_copy(m, t, ax, ay);
                if (nrxi_solver_report(s, k, best)) return;
                continue;
            }
            best = objective;
        }
        tn = 0.0;
        if (momentum) {
            /* <y - x1, x1 - x> > 0: the momentum points uphill */
            double turn = nrxi_vec_dot(n, t, y, x1) - nrxi_vec_dot(n, t, y, x) - nrxi_vec_dot(n, t, x1, x1) + nrxi_vec_dot(n, t, x1, x);
            if (turn > 0.0 && !s->d.no_restart) { tk = 1.0; s->info->restarts++; }
            tn = 0.5 * (1.0 + sqrt(1.0 + 4.0 * tk * tk));
        }
        move = momentum ? (tk - 1.0) / tn : 0.0;
        nrxi_vec_lin(n, t, 1.0 + move, x1, -move, x, y);
        if (p->a) nrxi_vec_lin(m, t, 1.0 + move, a1, -move, ax, ay);
        nrxi_vec_copy(n, t, x1, x);
        nrxi_vec_copy(m, t, a1, ax);
        tk = tn;
        if (nrxi_solver_report(s, k, objective)) return;
        if (s->d.discrepancy > 0.0 && p->a && nrxi_vec_dist(m, t, ax, p->b) <= s->d.discrepancy) { nrxi_solver_stop(s, NRX_STOP_DISCREPANCY); break; }
        if (s->info->residual <= s->d.tol) { nrxi_solver_stop(s, NRX_STOP_TOL); break; }
    }
    /* a subgradient at x1 is no longer than (L + 1/step) |x1 - y| = 2 |x1 - y| / step when the step is 1/L */
    if (mu > 0.0 && p->known && !(s->d.step > 0.0)) {
        move = 2.0 * s->info->residual * scale;
        s->info->gap = move * move / (2.0 * mu);
    }
    (void)nrxi_composite_value(s, p, x, ax, 1, &s->info->objective);
}

/* nmAPG (Li and Lin 2015, algorithm 4): extrapolation where it helps, a plain proximal step where it does not, judged against a running
   average of objectives; unknown steps grow until the curvature check shortens them. */
NRXI_FN void nrxi_composite_nmapg(nrxi_solver *s, nrxi_composite *p, void *x)
{
    size_t n = p->n, m = p->m, k, shortened = 0;
    int t = s->dtype, fixed, tries;
    void *xp = nrxi_solver_vector(s, n), *y = nrxi_solver_vector(s, n), *grad = nrxi_solver_vector(s, n), *part = nrxi_solver_vector(s, n);
    void *z = nrxi_solver_vector(s, n), *v = nrxi_solver_vector(s, n);
    void *ax = nrxi_solver_vector(s, m), *ap = nrxi_solver_vector(s, m), *ay = nrxi_solver_vector(s, m), *res = nrxi_solver_vector(s, m);
    void *az = nrxi_solver_vector(s, m), *av = nrxi_solver_vector(s, m);
    double tk = 1.0, told = 0.0, c, q = 1.0, fx, fz, fv, scale = 0.0, d2, best_step, first;
    const double delta = 1e-4, eta = 0.8;
    nrxi_vec_clamp(n, t, x, &s->d);
    if (p->a) {
        if (nrxi_solver_adjoint(s, p->a, p->b, grad) || nrxi_solver_apply(s, p->a, x, ax)) return;
        scale = nrxi_vec_norm(n, t, grad);
    }
    if (nrxi_composite_grad(s, p, x, ax, res, part, grad) || nrxi_composite_start(s, p, x, part, v, z, az)) return;
    if (nrxi_composite_value(s, p, x, ax, 1, &fx)) return;
    first = nrxi_vec_norm(n, t, grad);
    if (!nrxi_finite_f64(&fx) || !nrxi_finite_f64(&first)) { nrxi_solver_stop(s, NRX_STOP_NUMERIC); return; }
    if (scale == 0.0) scale = first > 0.0 ? first : 1.0;
    fixed = p->known;
    nrxi_vec_copy(n, t, x, z);
    nrxi_vec_copy(n, t, x, xp);
    nrxi_vec_copy(m, t, ax, az);
    nrxi_vec_copy(m, t, ax, ap);
    c = fx;
    for (k = 1; k <= s->d.max_iter; k++) {
        double a = told / tk, b = (told - 1.0) / tk, noise = 8.0 * s->eps * (fabs(fx) + fabs(c));
        int good;
        nrxi_vec_lin(n, t, 1.0 - a + b, x, a, z, y);
        nrxi_vec_axpy(n, t, -b, xp, y);
        if (p->a) {
            nrxi_vec_lin(m, t, 1.0 - a + b, ax, a, az, ay);
            nrxi_vec_axpy(m, t, -b, ap, ay);
        }
        nrxi_vec_copy(n, t, x, xp);
        nrxi_vec_copy(m, t, ax, ap);
        if (nrxi_composite_grad(s, p, y, ay, res, part, grad)) return;
        for (tries = 0;; tries++) { /* z = prox(y - step grad(y)) */
            if (nrxi_composite_step(s, p, y, ay, part, grad, z, az) || nrxi_composite_value(s, p, z, az, 0, &fz)) return;
            d2 = nrxi_vec_dist(n, t, z, y);
            d2 *= d2;
            good = fz <= c - delta * d2 + noise;
            if (good || fixed || tries >= 6) break;
            s->info->restarts++;
            p->step *= 0.5;
        }
        best_step = sqrt(d2) / p->step;
        if (good && nrxi_finite_f64(&fz)) {
            nrxi_vec_copy(n, t, z, x);
            nrxi_vec_copy(m, t, az, ax);
            fx = fz;
        } else { /* v = prox(x - step grad(x)): some step decreases */
            if (nrxi_composite_grad(s, p, xp, ap, res, part, grad)) return;
            for (tries = 0;; tries++) {
                if (nrxi_composite_step(s, p, xp, ap, part, grad, v, av) || nrxi_composite_value(s, p, v, av, 0, &fv)) return;
                d2 = nrxi_vec_dist(n, t, v, xp);
                d2 *= d2;
                good = fv <= c - delta * d2 + noise;
                if (good || fixed || tries >= 50) break;
                p->step *= 0.5;
            }
            if (!good || !nrxi_finite_f64(&fv)) { nrxi_solver_stop(s, nrxi_finite_f64(&fv) ? NRX_STOP_STALLED : NRX_STOP_NUMERIC); break; }
            best_step = sqrt(d2) / p->step;
            if (nrxi_finite_f64(&fz) && fz < fv) { nrxi_vec_copy(n, t, z, x); nrxi_vec_copy(m, t, az, ax); fx = fz; }
            else { nrxi_vec_copy(n, t, v, x); nrxi_vec_copy(m, t, av, ax); fx = fv; }
        }
        s->info->residual = best_step / scale;
        if (!fixed && s->info->restarts == shortened) p->step *= 1.2; /* nrxi_composite_step checks it against the curvature */
        shortened = s->info->restarts;
        told = tk;
        tk = 0.5 * (1.0 + sqrt(1.0 + 4.0 * tk * tk));
        c = (eta * q * c + fx) / (eta * q + 1.0);
        q = eta * q + 1.0;
        if (nrxi_solver_report(s, k, fx)) break;
        if (s->d.discrepancy > 0.0 && p->a && nrxi_vec_dist(m, t, ax, p->b) <= s->d.discrepancy) { nrxi_solver_stop(s, NRX_STOP_DISCREPANCY); break; }
        if (s->info->residual <= s->d.tol) { nrxi_solver_stop(s, NRX_STOP_TOL); break; }
    }
    s->info->objective = fx;
}

NRXI_FN nrx_status nrxi_solve_smooth(const char *who, const nrx_linop *a, const void *b, const nrx_functional *f, const nrx_functional *g, void *x,
                                     const nrx_solve_desc *d, nrx_solve_info *info)
{
    nrxi_solver s;
    nrxi_composite p;
    int method;
    nrx_status status = nrxi_solver_begin(&s, who, a ? a->dtype : f ? f->dtype : g ? g->dtype : -1, d, info);
    if (status != NRX_OK) return status;
    memset(&p, 0, sizeof p);
    p.a = a; p.b = b; p.f = f; p.g = g;
    p.n = a ? a->cols : f ? f->n : g->n;
    p.m = a ? a->rows : 0;
    if ((a && (status = nrxi_solver_check_linop(&s, a, 0, 1)) != NRX_OK) || (status = nrxi_solver_check_functional(&s, f, p.n, 1, 0)) != NRX_OK
        || (status = nrxi_solver_check_functional(&s, g, p.n, 0, 1)) != NRX_OK) return status;
    method = s.d.method;
    if (method == NRX_SOLVE_AUTO)
        method = (!f || f->convexity == NRX_CONVEX) && (!g || g->convexity == NRX_CONVEX) ? NRX_SOLVE_ACCELERATED : NRX_SOLVE_NMAPG;
    if (method < 0 || method > NRX_SOLVE_NMAPG) return nrxi_fail(&s.d.env, NRX_E_ARG, "%s: method %d, expected NRX_SOLVE_*", who, method);
    if ((status = nrxi_solver_room(&s, 6, p.n, 6, p.m)) != NRX_OK) return status;
    if (method == NRX_SOLVE_NMAPG) nrxi_composite_nmapg(&s, &p, x);
    else nrxi_composite_accelerated(&s, &p, x, method == NRX_SOLVE_ACCELERATED);
    s.info->step = p.step;
    return nrxi_solver_end(&s);
}

/* ---- primal-dual hybrid gradient ---- */

/* Steps tau and sigma with tau sigma |K|^2 < 1 (and the conditions of smooth and weakly convex terms). */
NRXI_FN nrx_status nrxi_pdhg_steps(nrxi_solver *s, const nrx_functional *g, const nrx_functional *h, const nrx_functional *f, double norm,
                                   double *tau, double *sigma)
{
    double lip = f ? f->lip : 0.0, rho = g ? g->rho : 0.0, omega = h->rho;
    norm = norm > 0.0 ? norm : 1.0;
    if (omega > 0.0) *sigma = 2.0 * omega; /* Moellenhoff et al. 2015: the prox of h / sigma must be single-valued */
    else if (s->d.step > 0.0) *sigma = 0.99 / (s->d.step * norm * norm);
    else *sigma = 0.99 / (norm * s->d.ratio);
    *tau = s->d.step > 0.0 ? s->d.step : 0.99 / (*sigma * norm * norm);
    if (lip > 0.0) { /* Condat 2013: 1/tau - sigma |K|^2 >= lip/2; this choice leaves lip */
        if (!(s->d.step > 0.0)) *tau = 0.99 / (*sigma * norm * norm + lip);
    }
    if (rho > 0.0 && *tau * rho >= 1.0) {
        if (s->d.step > 0.0)
            return nrxi_fail(&s->d.env, NRX_E_ARG, "%s: step %g times the weak convexity %g of g is not below 1", s->who, *tau, rho);
        *tau = 0.5 / rho;
    }
    return NRX_OK;
}

/* Chambolle and Pock 2011 (their algorithm 2 when accelerated), Condat 2013 and Vu 2013 with a smooth term. The step of h* comes from the
   prox of h by Moreau's identity. Certified gap when g is mu-strongly convex: with y = sigma (v/sigma - p), p = prox_{h/sigma}(v/sigma),
   h*(y) = <y,p> - h(p) holds exactly, and the strong convexity bounds g*(-K^T y) from above at x by its subgradient there:
   gap <= h(Kx) + h*(y) - <Kx, y> + |x_old - x|^2 / (2 mu tau^2). */
NRXI_FN nrx_status nrxi_solve_pdhg(const char *who, const nrx_linop *op, const nrx_functional *g, const nrx_functional *h,
                                   const nrx_functional *f, void *x, void *y, const nrx_solve_desc *d, nrx_solve_info *info)
{
    nrxi_solver s;
    size_t n = op->cols, m = op->rows, k;
    int t = op->dtype, certify, last;
    void *xo, *grad, *kty, *yo, *kx, *ko, *kb, *p, *pv;
    double tau, sigma, theta = 1.0, norm, gamma, alpha = 0.5, mu = g ? g->mu : 0.0, dx, dk, hstar = 0.0;
    nrx_status status = nrxi_solver_begin(&s, who, t, d, info);
    if (status != NRX_OK || (status = nrxi_solver_check_linop(&s, op, 0, 1)) != NRX_OK
        || (status = nrxi_solver_check_functional(&s, g, n, 0, 1)) != NRX_OK || (status = nrxi_solver_check_functional(&s, h, m, 0, 1)) != NRX_OK
        || (status = nrxi_solver_check_functional(&s, f, n, 1, 0)) != NRX_OK) return status;
    if (!h) return nrxi_fail(&s.d.env, NRX_E_ARG, "%s: no functional h for the dual side", who);
    if (f && !(f->lip > 0.0)) return nrxi_fail(&s.d.env, NRX_E_ARG, "%s: the smooth term needs its Lipschitz constant `lip`", who);
    if ((status = nrxi_solver_room(&s, 3, n, 7, m)) != NRX_OK) return status;
    xo = nrxi_solver_vector(&s, n);
    grad = nrxi_solver_vector(&s, n);
    kty = nrxi_solver_vector(&s, n);
    kx = nrxi_solver_vector(&s, m);
    ko = nrxi_solver_vector(&s, m);
    kb = nrxi_solver_vector(&s, m);
    yo = nrxi_solver_vector(&s, m);
    p = nrxi_solver_vector(&s, m);
    pv = nrxi_solver_vector(&s, m);
    if (!y) y = nrxi_solver_vector(&s, m);
    norm = op->norm;
    if (!(norm > 0.0)) { /* from below: 5 % more, and each step checks it */
        if (nrxi_solver_power(&s, op, 30, xo, kx, &norm)) return nrxi_solver_end(&s);
        norm *= 1.05;
    }
    s.info->norm = norm;
    gamma = s.d.gamma < 0.0 || h->rho > 0.0 ? 0.0 : s.d.gamma > 0.0 ? s.d.gamma : 0.5 * mu;
    if (s.d.adaptive) gamma = 0.0;
    s.status = nrxi_pdhg_steps(&s, g, h, f, norm, &tau, &sigma);
    if (s.status != NRX_OK) { nrxi_free(&s.d.env, s.memory); return s.status; }
    certify = mu > 0.0 && h->eval && !f && h->rho == 0.0;
    nrxi_vec_clamp(n, t, x, &s.d);
    if (nrxi_solver_apply(&s, op, x, kx)) return nrxi_solver_end(&s);
    nrxi_vec_copy(m, t, kx, ko);
    for (k = 1; k <= s.d.max_iter; k++) {
        last = k == s.d.max_iter || k % s.d.check_every == 0;
        /* y = prox_{sigma h*}(y + sigma K xbar) with xbar = x + theta (x - x_old) */
        nrxi_vec_lin(m, t, 1.0 + theta, kx, -theta, ko, kb);
        nrxi_vec_copy(m, t, y, yo);
        nrxi_vec_lin(m, t, 1.0 / sigma, y, 1.0, kb, pv);
        if (nrxi_solver_prox(&s, h, 1.0 / sigma, pv, p)) break;
        nrxi_vec_lin(m, t, sigma, pv, -sigma, p, y);
        /* x = prox_{tau g}(x - tau (grad f + K^T y)) */
        if (nrxi_solver_adjoint(&s, op, y, kty)) break;
        nrxi_vec_copy(n, t, x, xo);
        nrxi_vec_lin(n, t, 1.0, xo, -tau, kty, grad);
        if (f) {
            if (nrxi_solver_eval(&s, f, xo, NULL, kty)) break;
            nrxi_vec_axpy(n, t, -tau, kty, grad);
        }
        if (g && nrxi_solver_prox(&s, g, tau, grad, grad)) break;
        nrxi_vec_clamp(n, t, grad, &s.d);
        dx = nrxi_vec_dist(n, t, grad, xo);
        if (!nrxi_finite_f64(&dx)) { nrxi_solver_stop(&s, NRX_STOP_NUMERIC); break; }
        nrxi_vec_copy(n, t, grad, x);
        nrxi_vec_copy(m, t, kx, ko);
        if (nrxi_solver_apply(&s, op, x, kx)) break;
        dk = nrxi_vec_dist(m, t, kx, ko);
        if (!(op->norm > 0.0) && dk > norm * dx * (1.0 + 8.0 * s.eps)) { /* the estimate of |K| was too low */
            double ratio = norm * dx / dk;
            tau *= ratio * 0.99;
            if (h->rho == 0.0) sigma *= ratio;
            else tau *= ratio;
            norm = s.info->norm = dk / dx;
            s.info->restarts++;
        }
        if (last || s.d.adaptive || s.d.history) { /* optimality residuals at (x, y): p = (x_old - x)/tau, d = (y_old - y)/sigma + K(xbar - x) */
            double pr = dx / tau, du, sx, sy;
            nrxi_vec_lin(m, t, 1.0 / sigma, yo, -1.0 / sigma, y, pv);
            nrxi_vec_axpy(m, t, 1.0, kb, pv);
            du = nrxi_vec_dist(m, t, pv, kx);
            sx = f ? nrxi_vec_norm(n, t, x) / tau : nrxi_vec_norm(n, t, kty);
            sy = nrxi_vec_norm(m, t, kx);
            s.info->residual = pr / (sx > 0.0 ? sx : 1.0);
            if (sy > 0.0 && du / sy > s.info->residual) s.info->residual = du / sy;
            else if (sy == 0.0 && du > s.info->residual) s.info->residual = du;
            if (s.d.adaptive) {
                double grow = pr > 1.5 * du ? 1.0 / (1.0 - alpha) : du > 1.5 * pr ? 1.0 - alpha : 1.0;
                if (grow != 1.0 && h->rho == 0.0 && !(g && g->rho > 0.0 && grow > 1.0 && tau * grow * g->rho >= 1.0) && !f) {
                    tau *= grow;
                    sigma /= grow;
                    alpha *= 0.95;
                }
            }
        }
        if (certify && last) {
            double hp, hk;
            if (nrxi_solver_eval(&s, h, p, &hp, NULL) || nrxi_solver_eval(&s, h, kx, &hk, NULL)) break;
            hstar = nrxi_vec_dot(m, t, y, p) - hp;
            s.info->gap = hk + hstar - nrxi_vec_dot(m, t, kx, y) + dx * dx / (2.0 * mu * tau * tau);
            if (s.info->gap < 0.0) s.info->gap = 0.0; /* rounding */
            if (g->eval) {
                if (nrxi_solver_eval(&s, g, x, &hp, NULL)) break;
                s.info->objective = hk + hp;
            }
        }
        if (nrxi_solver_report(&s, k, s.info->residual)) break;
        if (last && certify && s.info->gap <= s.d.tol * (fabs(s.info->objective) > 1e-300 ? fabs(s.info->objective) : 1.0)) { nrxi_solver_stop(&s, NRX_STOP_GAP); break; }
        if (last && !certify && s.info->residual <= s.d.tol) { nrxi_solver_stop(&s, NRX_STOP_TOL); break; }
        if (gamma > 0.0) {
            theta = 1.0 / sqrt(1.0 + 2.0 * gamma * tau);
            tau *= theta;
            sigma /= theta;
        }
    }
    s.info->step = tau;
    if (!certify && s.info->stop != NRX_STOP_CALLBACK && h->eval) { /* objective at x */
        double v = 0.0, sum = 0.0;
        if (!nrxi_solver_eval(&s, h, kx, &v, NULL)) sum = v;
        if (g && g->eval && !nrxi_solver_eval(&s, g, x, &v, NULL)) sum += v;
        if (f && !nrxi_solver_eval(&s, f, x, &v, NULL)) sum += v;
        s.info->objective = sum;
    }
    return nrxi_solver_end(&s);
}
#elif NRXI_SOLVE_VERSION != 3993297318
#error "nrx: headers with different versions of the solve block are mixed in one translation unit"
#endif
/* <<< nrx solve (implementation) */
/* >>> nrx adam (implementation) */
#ifndef NRXI_ADAM_VERSION
#define NRXI_ADAM_VERSION 1430145472
/* Adam (Kingma and Ba 2015) with decoupled decay (Loshchilov and Hutter 2019), SGD with momentum (first velocity = gradient).
   Needs the core block only. A gradient that is not finite is found before anything is written: the step is refused.

     nrxi_adam_init(who, a, params, count, d)   plans the state; params must outlive it
     nrxi_adam_step(who, a)                     one step from the gradients, then the constraints; NRX_E_NUMERIC = step refused
     nrxi_adam_drop(a)
     nrxi_adam_save(a, bytes) / nrxi_adam_restore(who, a, bytes, n)   nrxi_adam_save_size(a) bytes; resumes to the bit on this byte order
     nrxi_param_project(p, work)                the constraint of one block; work: rows + cols doubles */
#if defined(NRXI_X86)
#include <immintrin.h>
#endif

/* Adam: w = keep w - rate m / (root sqrt(v) + eps). SGD: m = b1 m + g, w = keep w - rate (root g + eps m). All see gscale g for g. */
typedef struct nrxi_adam_coef { double b1, b2, keep, rate, root, eps, gscale; } nrxi_adam_coef;
typedef double nrxi_adam_sum; /* stays f64 in f32 twins */
NRXI_FN double nrxi_adam_root(double x) { return sqrt(x); }

/* >>> twin f64 */
NRXI_FN void nrxi_adam_loop_f64(size_t n, double *w, const double *g, double *m, double *v, const nrxi_adam_coef *c)
{
    const double b1 = (double)c->b1, b2 = (double)c->b2, c1 = (double)(1.0 - c->b1), c2 = (double)(1.0 - c->b2), keep = (double)c->keep;
    const double rate = (double)c->rate, root = (double)c->root, eps = (double)c->eps, gs = (double)c->gscale;
    size_t i;
    for (i = 0; i < n; i++) {
        double x = gs * g[i];
        m[i] = b1 * m[i] + c1 * x;
        v[i] = b2 * v[i] + c2 * (x * x);
        w[i] = keep * w[i] - rate * m[i] / (sqrt(v[i]) * root + eps);
    }
}

NRXI_FN void nrxi_sgd_loop_f64(size_t n, double *NRX_RESTRICT w, const double *NRX_RESTRICT g, double *NRX_RESTRICT m, const nrxi_adam_coef *c)
{
    const double b1 = (double)c->b1, keep = (double)c->keep, rate = (double)c->rate, look = (double)c->root, use = (double)c->eps;
    const double gs = (double)c->gscale;
    size_t i;
    for (i = 0; i < n; i++) {
        double x = gs * g[i], u = x;
        if (m) m[i] = u = b1 * m[i] + x;
        w[i] = keep * w[i] - rate * (look * x + use * u);
    }
}

NRXI_FN nrxi_adam_sum nrxi_adam_norm2_f64(size_t n, const double *g)
{
    nrxi_adam_sum s[4] = {0.0, 0.0, 0.0, 0.0};
    size_t i;
    for (i = 0; i < n; i++) s[i & 3] += (nrxi_adam_sum)g[i] * (nrxi_adam_sum)g[i];
    return (s[0] + s[1]) + (s[2] + s[3]);
}

/* Spectral norm by the power method, from below; work: rows + cols. */
NRXI_FN nrxi_adam_sum nrxi_adam_spectral_f64(size_t rows, size_t cols, const double *w, int iterations, nrxi_adam_sum *work)
{
    nrxi_adam_sum *u = work, *x = work + rows, norm = 0.0, s;
    size_t i, j;
    for (j = 0; j < cols; j++) x[j] = 1.0 + 0.5 * (nrxi_adam_sum)((j * 7919u) % 101u) / 101.0;
    for (; iterations > 0; iterations--) {
        for (j = 0, s = 0.0; j < cols; j++) s += x[j] * x[j];
        if (!(s > 0.0)) return norm;
        s = 1.0 / nrxi_adam_root(s);
        for (j = 0; j < cols; j++) x[j] *= s;
        for (i = 0, norm = 0.0; i < rows; i++) {
            for (j = 0, s = 0.0; j < cols; j++) s += (nrxi_adam_sum)w[i * cols + j] * x[j];
            u[i] = s;
            norm += s * s;
        }
        norm = nrxi_adam_root(norm);
        memset(x, 0, cols * sizeof *x);
        for (i = 0; i < rows; i++)
            for (j = 0; j < cols; j++) x[j] += (nrxi_adam_sum)w[i * cols + j] * u[i];
    }
    return norm;
}

NRXI_FN void nrxi_param_project_f64(double *w, size_t rows, size_t cols, int constraint, nrxi_adam_sum *work)
{
    size_t i, j;
    nrxi_adam_sum s;
    if (constraint == NRX_NONNEGATIVE) {
        for (i = 0; i < rows * cols; i++) if (w[i] < 0) w[i] = 0;
    } else if (constraint == NRX_ZERO_MEAN || constraint == NRX_UNIT_NORM) {
        for (i = 0; i < rows; i++, w += cols) {
            for (j = 0, s = 0.0; j < cols; j++) s += constraint == NRX_ZERO_MEAN ? (nrxi_adam_sum)w[j] : (nrxi_adam_sum)w[j] * (nrxi_adam_sum)w[j];
            if (constraint == NRX_ZERO_MEAN) for (j = 0; j < cols; j++) w[j] -= (double)(s / (nrxi_adam_sum)cols);
            else if (s > 1.0) for (j = 0; j < cols; j++) w[j] = (double)((nrxi_adam_sum)w[j] / nrxi_adam_root(s));
        }
    } else if (constraint == NRX_UNIT_SPECTRAL) {
        s = nrxi_adam_spectral_f64(rows, cols, w, 30, work);
        if (s > 1.0) for (i = 0; i < rows * cols; i++) w[i] = (double)((nrxi_adam_sum)w[i] / s);
    }
}
/* === twin f32 */
NRXI_FN void nrxi_adam_loop_f32(size_t n, float *w, const float *g, float *m, float *v, const nrxi_adam_coef *c)
{
    const float b1 = (float)c->b1, b2 = (float)c->b2, c1 = (float)(1.0 - c->b1), c2 = (float)(1.0 - c->b2), keep = (float)c->keep;
    const float rate = (float)c->rate, root = (float)c->root, eps = (float)c->eps, gs = (float)c->gscale;
    size_t i;
    for (i = 0; i < n; i++) {
        float x = gs * g[i];
        m[i] = b1 * m[i] + c1 * x;
        v[i] = b2 * v[i] + c2 * (x * x);
        w[i] = keep * w[i] - rate * m[i] / (sqrtf(v[i]) * root + eps);
    }
}

NRXI_FN void nrxi_sgd_loop_f32(size_t n, float *NRX_RESTRICT w, const float *NRX_RESTRICT g, float *NRX_RESTRICT m, const nrxi_adam_coef *c)
{
    const float b1 = (float)c->b1, keep = (float)c->keep, rate = (float)c->rate, look = (float)c->root, use = (float)c->eps;
    const float gs = (float)c->gscale;
    size_t i;
    for (i = 0; i < n; i++) {
        float x = gs * g[i], u = x;
        if (m) m[i] = u = b1 * m[i] + x;
        w[i] = keep * w[i] - rate * (look * x + use * u);
    }
}

NRXI_FN nrxi_adam_sum nrxi_adam_norm2_f32(size_t n, const float *g)
{
    nrxi_adam_sum s[4] = {0.0, 0.0, 0.0, 0.0};
    size_t i;
    for (i = 0; i < n; i++) s[i & 3] += (nrxi_adam_sum)g[i] * (nrxi_adam_sum)g[i];
    return (s[0] + s[1]) + (s[2] + s[3]);
}

/* Spectral norm by the power method, from below; work: rows + cols. */
NRXI_FN nrxi_adam_sum nrxi_adam_spectral_f32(size_t rows, size_t cols, const float *w, int iterations, nrxi_adam_sum *work)
{
    nrxi_adam_sum *u = work, *x = work + rows, norm = 0.0, s;
    size_t i, j;
    for (j = 0; j < cols; j++) x[j] = 1.0 + 0.5 * (nrxi_adam_sum)((j * 7919u) % 101u) / 101.0;
    for (; iterations > 0; iterations--) {
        for (j = 0, s = 0.0; j < cols; j++) s += x[j] * x[j];
        if (!(s > 0.0)) return norm;
        s = 1.0 / nrxi_adam_root(s);
        for (j = 0; j < cols; j++) x[j] *= s;
        for (i = 0, norm = 0.0; i < rows; i++) {
            for (j = 0, s = 0.0; j < cols; j++) s += (nrxi_adam_sum)w[i * cols + j] * x[j];
            u[i] = s;
            norm += s * s;
        }
        norm = nrxi_adam_root(norm);
        memset(x, 0, cols * sizeof *x);
        for (i = 0; i < rows; i++)
            for (j = 0; j < cols; j++) x[j] += (nrxi_adam_sum)w[i * cols + j] * u[i];
    }
    return norm;
}

NRXI_FN void nrxi_param_project_f32(float *w, size_t rows, size_t cols, int constraint, nrxi_adam_sum *work)
{
    size_t i, j;
    nrxi_adam_sum s;
    if (constraint == NRX_NONNEGATIVE) {
        for (i = 0; i < rows * cols; i++) if (w[i] < 0) w[i] = 0;
    } else if (constraint == NRX_ZERO_MEAN || constraint == NRX_UNIT_NORM) {
        for (i = 0; i < rows; i++, w += cols) {
            for (j = 0, s = 0.0; j < cols; j++) s += constraint == NRX_ZERO_MEAN ? (nrxi_adam_sum)w[j] : (nrxi_adam_sum)w[j] * (nrxi_adam_sum)w[j];
            if (constraint == NRX_ZERO_MEAN) for (j = 0; j < cols; j++) w[j] -= (float)(s / (nrxi_adam_sum)cols);
            else if (s > 1.0) for (j = 0; j < cols; j++) w[j] = (float)((nrxi_adam_sum)w[j] / nrxi_adam_root(s));
        }
    } else if (constraint == NRX_UNIT_SPECTRAL) {
        s = nrxi_adam_spectral_f32(rows, cols, w, 30, work);
        if (s > 1.0) for (i = 0; i < rows * cols; i++) w[i] = (float)((nrxi_adam_sum)w[i] / s);
    }
}
/* <<< twin */

#if defined(NRXI_X86) /* the f32 loops eight at a time; each returns how many entries it did */
NRXI_AVX2 NRXI_FN size_t nrxi_adam_avx2(size_t n, float *w, const float *g, float *m, float *v, const nrxi_adam_coef *c)
{
    const __m256 b1 = _mm256_set1_ps((float)c->b1), b2 = _mm256_set1_ps((float)c->b2), c1 = _mm256_set1_ps((float)(1.0 - c->b1));
    const __m256 c2 = _mm256_set1_ps((float)(1.0 - c->b2)), keep = _mm256_set1_ps((float)c->keep), rate = _mm256_set1_ps((float)c->rate);
    const __m256 root = _mm256_set1_ps((float)c->root), eps = _mm256_set1_ps((float)c->eps), gs = _mm256_set1_ps((float)c->gscale);
    size_t i;
    for (i = 0; i + 8 <= n; i += 8) {
        __m256 x = _mm256_mul_ps(gs, _mm256_loadu_ps(g + i)), mi, vi, d;
        mi = _mm256_fmadd_ps(b1, _mm256_loadu_ps(m + i), _mm256_mul_ps(c1, x));
        vi = _mm256_fmadd_ps(b2, _mm256_loadu_ps(v + i), _mm256_mul_ps(c2, _mm256_mul_ps(x, x)));
        d = _mm256_fmadd_ps(_mm256_sqrt_ps(vi), root, eps);
        _mm256_storeu_ps(m + i, mi);
        _mm256_storeu_ps(v + i, vi);
        _mm256_storeu_ps(w + i, _mm256_fmsub_ps(keep, _mm256_loadu_ps(w + i), _mm256_div_ps(_mm256_mul_ps(rate, mi), d)));
    }
    return i;
}
NRXI_AVX2 NRXI_FN size_t nrxi_sgd_avx2(size_t n, float *w, const float *g, float *m, const nrxi_adam_coef *c)
{
    const __m256 b1 = _mm256_set1_ps((float)c->b1), keep = _mm256_set1_ps((float)c->keep), rate = _mm256_set1_ps((float)-c->rate);
    const __m256 look = _mm256_set1_ps((float)c->root), use = _mm256_set1_ps((float)c->eps), gs = _mm256_set1_ps((float)c->gscale);
    size_t i;
    for (i = 0; i + 8 <= n; i += 8) {
        __m256 x = _mm256_mul_ps(gs, _mm256_loadu_ps(g + i)), u = x;
        if (m) {
            u = _mm256_fmadd_ps(b1, _mm256_loadu_ps(m + i), x);
            _mm256_storeu_ps(m + i, u);
        }
        u = _mm256_fmadd_ps(look, x, _mm256_mul_ps(use, u));
        _mm256_storeu_ps(w + i, _mm256_fmadd_ps(rate, u, _mm256_mul_ps(keep, _mm256_loadu_ps(w + i))));
    }
    return i;
}
/* f32 sums over 1024 entries (32 a lane), folded in f64; n a multiple of 1024 */
NRXI_AVX2 NRXI_FN double nrxi_adam_norm2_avx2(size_t n, const float *g)
{
    double total = 0.0;
    size_t i, j;
    for (i = 0; i + 1024 <= n; i += 1024) {
        __m256 a = _mm256_setzero_ps(), b = a, c = a, d = a, x;
        __m256d e;
        double lane[4];
        for (j = i; j < i + 1024; j += 32) {
            x = _mm256_loadu_ps(g + j);      a = _mm256_fmadd_ps(x, x, a);
            x = _mm256_loadu_ps(g + j + 8);  b = _mm256_fmadd_ps(x, x, b);
            x = _mm256_loadu_ps(g + j + 16); c = _mm256_fmadd_ps(x, x, c);
            x = _mm256_loadu_ps(g + j + 24); d = _mm256_fmadd_ps(x, x, d);
        }
        a = _mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d));
        e = _mm256_add_pd(_mm256_cvtps_pd(_mm256_castps256_ps128(a)), _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1)));
        _mm256_storeu_pd(lane, e);
        total += (lane[0] + lane[1]) + (lane[2] + lane[3]);
    }
    return total;
}
#endif

NRXI_FN void nrxi_adam_update(int dtype, size_t n, void *w, const void *g, void *m, void *v, const nrxi_adam_coef *c)
{
    size_t i = 0;
    if (dtype == NRX_F64) { nrxi_adam_loop_f64(n, (double *)w, (const double *)g, (double *)m, (double *)v, c); return; }
#if defined(NRXI_X86)
    if (nrxi_cpu_avx2()) i = nrxi_adam_avx2(n, (float *)w, (const float *)g, (float *)m, (float *)v, c);
#endif
    nrxi_adam_loop_f32(n - i, (float *)w + i, (const float *)g + i, (float *)m + i, (float *)v + i, c);
}
NRXI_FN void nrxi_sgd_update(int dtype, size_t n, void *w, const void *g, void *m, const nrxi_adam_coef *c)
{
    size_t i = 0;
    if (dtype == NRX_F64) { nrxi_sgd_loop_f64(n, (double *)w, (const double *)g, (double *)m, c); return; }
#if defined(NRXI_X86)
    if (nrxi_cpu_avx2()) i = nrxi_sgd_avx2(n, (float *)w, (const float *)g, (float *)m, c);
#endif
    nrxi_sgd_loop_f32(n - i, (float *)w + i, (const float *)g + i, m ? (float *)m + i : NULL, c);
}
NRXI_FN double nrxi_adam_norm2(int dtype, size_t n, const void *g)
{
    double s = 0.0;
    size_t i = 0;
    if (dtype == NRX_F64) return nrxi_adam_norm2_f64(n, (const double *)g);
#if defined(NRXI_X86)
    if (nrxi_cpu_avx2()) { i = n / 1024 * 1024; s = nrxi_adam_norm2_avx2(i, (const float *)g); }
#endif
    return s + nrxi_adam_norm2_f32(n - i, (const float *)g + i);
}
NRXI_FN void nrxi_param_project(const nrx_param *p, double *work)
{
    if (p->dtype == NRX_F32) nrxi_param_project_f32((float *)p->value, p->rows, p->cols, p->constraint, work);
    else nrxi_param_project_f64((double *)p->value, p->rows, p->cols, p->constraint, work);
}

/* Norm of all gradients. Refuses (NRX_E_NUMERIC, with a line naming the block) what is not finite or too large to be squared. */
NRXI_FN nrx_status nrxi_grad_norm(const char *who, const nrx_param *params, size_t count, double *norm, const nrx_env *env)
{
    double s = 0.0;
    size_t k;
    *norm = 0.0;
    for (k = 0; k < count; k++) {
        const nrx_param *p = params + k;
        double part = nrxi_adam_norm2(p->dtype, p->rows * p->cols, p->grad);
        if (!nrxi_finite_f64(&part) || (p->dtype == NRX_F32 && part > 1e36))
            return nrxi_fail(env, NRX_E_NUMERIC, "%s: the gradient of '%s' %s; nothing was changed", who, p->name ? p->name : "?",
                             nrxi_all_finite(p->grad, p->rows * p->cols, p->dtype) ? "is too large to be squared" : "is not finite");
        s += part;
    }
    *norm = sqrt(s);
    return NRX_OK;
}

/* Sizes, pointers and dtypes of a list; *bytes = room for one number per parameter, every block on 64 bytes. */
NRXI_FN nrx_status nrxi_params_check(const char *who, const nrx_param *params, size_t count, size_t *bytes, const nrx_env *env)
{
    size_t k, size;
    *bytes = 0;
    if (count && !params) return nrxi_fail(env, NRX_E_ARG, "%s: params is NULL, count is %zu", who, count);
    for (k = 0; k < count; k++) {
        const nrx_param *p = params + k;
        if (p->dtype != NRX_F32 && p->dtype != NRX_F64) return nrxi_fail(env, NRX_E_ARG, "%s: parameter %zu has dtype %d", who, k, p->dtype);
        if (!nrxi_mul_ok(p->rows, p->cols, &size) || !nrxi_mul_ok(size, nrxi_dtype_size(p->dtype), &size) || size > (size_t)-1 / 4
            || !nrxi_add_ok(*bytes, (size + 63) & ~(size_t)63, bytes))
            return nrxi_fail(env, NRX_E_RANGE, "%s: parameter %zu of %zux%zu overflows", who, k, p->rows, p->cols);
        if (size && (!p->value || !p->grad)) return nrxi_fail(env, NRX_E_ARG, "%s: parameter %zu has no %s", who, k, p->value ? "grad" : "value");
        if (p->constraint < NRX_FREE || p->constraint > NRX_UNIT_SPECTRAL)
            return nrxi_fail(env, NRX_E_ARG, "%s: parameter %zu has the unknown constraint %d", who, k, p->constraint);
    }
    return NRX_OK;
}

/* Bytes of work for the constraints of a list. */
NRXI_FN size_t nrxi_params_work(const nrx_param *params, size_t count)
{
    size_t k, most = 0;
    for (k = 0; k < count; k++)
        if (params[k].constraint == NRX_UNIT_SPECTRAL && params[k].rows + params[k].cols > most) most = params[k].rows + params[k].cols;
    return most * sizeof(double);
}

NRXI_FN nrx_status nrxi_adam_init(const char *who, nrx_adam *a, const nrx_param *params, size_t count, const nrx_adam_desc *d)
{
    nrx_status status;
    size_t work;
    memset(a, 0, sizeof *a);
    if (d) a->desc = *d;
    if (a->desc.kind != NRX_ADAM_ADAM && a->desc.kind != NRX_ADAM_SGD) return nrxi_fail(&a->desc.env, NRX_E_ARG, "%s: kind %d, expected NRX_ADAM_*", who, a->desc.kind);
    if (a->desc.lr == 0.0) a->desc.lr = a->desc.kind == NRX_ADAM_SGD ? 1e-2 : 1e-3;
    if (a->desc.beta1 == 0.0) a->desc.beta1 = 0.9;
    if (a->desc.beta2 == 0.0) a->desc.beta2 = 0.999;
    if (a->desc.eps == 0.0) a->desc.eps = 1e-8;
    if (!(a->desc.lr > 0.0) || !(a->desc.beta1 < 1.0) || !(a->desc.beta2 < 1.0) || !(a->desc.weight_decay >= 0.0))
        return nrxi_fail(&a->desc.env, NRX_E_ARG, "%s: lr %g, beta1 %g, beta2 %g, weight_decay %g: expected lr > 0, betas < 1, decay >= 0", who,
                         a->desc.lr, a->desc.beta1, a->desc.beta2, a->desc.weight_decay);
    status = nrxi_params_check(who, params, count, &a->moment_bytes, &a->desc.env);
    if (status != NRX_OK) return status;
    a->params = params;
    a->count = count;
    work = nrxi_params_work(params, count);
    if (a->desc.kind == NRX_ADAM_ADAM) a->moment_bytes *= 2;
    if (!nrxi_add_ok(a->moment_bytes, work, &work) || !(a->moments = nrxi_calloc(&a->desc.env, work, 1)))
        return nrxi_fail(&a->desc.env, NRX_E_NOMEM, "%s: no memory for %zu bytes of state", who, a->moment_bytes);
    return NRX_OK;
}

NRXI_FN void nrxi_adam_drop(nrx_adam *a)
{
    nrxi_free(&a->desc.env, a->moments);
    memset(a, 0, sizeof *a);
}

typedef struct nrxi_adam_job { int kind, dtype; size_t n; unsigned char *w, *m, *v; const unsigned char *g; nrxi_adam_coef c; } nrxi_adam_job;
enum { NRXI_ADAM_CHUNK = 32768 }; /* entries: four f32 arrays of this size stay in the second-level cache */

NRXI_FN void nrxi_adam_chunk(void *arg, size_t chunk)
{
    const nrxi_adam_job *j = (const nrxi_adam_job *)arg;
    size_t full = NRXI_ADAM_CHUNK, at = chunk * full, n = j->n - at < full ? j->n - at : full, o = at * nrxi_dtype_size(j->dtype);
    if (j->kind == NRX_ADAM_ADAM) nrxi_adam_update(j->dtype, n, j->w + o, j->g + o, j->m + o, j->v + o, &j->c);
    else nrxi_sgd_update(j->dtype, n, j->w + o, j->g + o, j->m ? j->m + o : NULL, &j->c);
}

NRXI_FN nrx_status nrxi_adam_step(const char *who, nrx_adam *a)
{
    const nrx_adam_desc *d = &a->desc;
    nrxi_adam_job job;
    unsigned char *m = (unsigned char *)a->moments, *v = m + a->moment_bytes / 2;
    double *work = (double *)(void *)(m + a->moment_bytes);
    size_t k;
    nrx_status status = nrxi_grad_norm(who, a->params, a->count, &a->grad_norm, &d->env);
    if (status != NRX_OK) { a->skipped++; return status; }
    a->steps++;
    job.kind = d->kind;
    job.c.gscale = d->clip_norm > 0.0 && a->grad_norm > d->clip_norm ? d->clip_norm / (a->grad_norm + 1e-6) : 1.0;
    job.c.keep = 1.0 - d->lr * d->weight_decay;
    job.c.b1 = d->kind == NRX_ADAM_ADAM ? d->beta1 : d->momentum;
    job.c.b2 = d->beta2;
    if (d->kind == NRX_ADAM_ADAM) {
        job.c.rate = d->lr / (1.0 - pow(d->beta1, (double)a->steps));
        job.c.root = 1.0 / sqrt(1.0 - pow(d->beta2, (double)a->steps));
        job.c.eps = d->eps;
    } else {
        job.c.rate = d->lr;
        job.c.root = d->nesterov && d->momentum != 0.0 ? 1.0 : 0.0;
        job.c.eps = d->nesterov && d->momentum != 0.0 ? d->momentum : 1.0;
    }
    for (k = 0; k < a->count; k++) {
        const nrx_param *p = a->params + k;
        size_t size;
        job.dtype = p->dtype;
        job.n = p->rows * p->cols;
        size = (job.n * nrxi_dtype_size(p->dtype) + 63) & ~(size_t)63;
        job.w = (unsigned char *)p->value;
        job.g = (const unsigned char *)p->grad;
        job.m = d->kind == NRX_ADAM_SGD && d->momentum == 0.0 ? NULL : m;
        job.v = v;
        nrxi_parallel(&d->env, (job.n + NRXI_ADAM_CHUNK - 1) / NRXI_ADAM_CHUNK, nrxi_adam_chunk, &job);
        if (p->constraint) nrxi_param_project(p, work);
        m += size;
        v += size;
    }
    return NRX_OK;
}

/* State: "nrxA", kind, steps, moment bytes (u64 each but the tag), moments. */
NRXI_FN size_t nrxi_adam_save_size(const nrx_adam *a) { return 32 + a->moment_bytes; }
NRXI_FN void nrxi_adam_save(const nrx_adam *a, void *bytes)
{
    unsigned char *p = (unsigned char *)bytes;
    uint64_t head[4];
    head[0] = 0x314178726eu; /* "nrxA1" */
    head[1] = (uint64_t)a->desc.kind;
    head[2] = (uint64_t)a->steps;
    head[3] = (uint64_t)a->moment_bytes;
    memcpy(p, head, sizeof head);
    memcpy(p + 32, a->moments, a->moment_bytes);
}
NRXI_FN nrx_status nrxi_adam_restore(const char *who, nrx_adam *a, const void *bytes, size_t n)
{
    uint64_t head[4];
    if (n < 32) return nrxi_fail(&a->desc.env, NRX_E_FORMAT, "%s: state of %zu bytes is truncated", who, n);
    memcpy(head, bytes, sizeof head);
    if (head[0] != 0x314178726eu || head[1] != (uint64_t)a->desc.kind || head[3] != (uint64_t)a->moment_bytes || n - 32 != a->moment_bytes)
        return nrxi_fail(&a->desc.env, NRX_E_FORMAT, "%s: the state (%zu bytes) was not saved by an optimizer of this kind and size", who, n);
    a->steps = (size_t)head[2];
    memcpy(a->moments, (const unsigned char *)bytes + 32, a->moment_bytes);
    return NRX_OK;
}
#elif NRXI_ADAM_VERSION != 1430145472
#error "nrx: headers with different versions of the adam block are mixed in one translation unit"
#endif
/* <<< nrx adam (implementation) */
NRXI_IMPL_END

NRXI_IMPL_BEGIN

NRX_DEF const char *nrx_opt_version(void) { return NRX_OPTIM_VERSION; }

/* ==== matrix functions ==== */

NRXI_FN size_t nrxi_opt_min_size(size_t a, size_t b) { return a < b ? a : b; }
NRXI_FN size_t nrxi_opt_max_size(size_t a, size_t b) { return a > b ? a : b; }

NRXI_FN nrx_status nrxi_opt_matrix_check(
    const char *who, int dtype, size_t rows, size_t cols, const void *a, const void *out, const nrx_env *env)
{
    size_t size, dim;
    if (dtype != NRX_F32 && dtype != NRX_F64)
        return nrxi_fail(env, NRX_E_ARG, "%s: dtype %d, expected NRX_F32 or NRX_F64", who, dtype);
    if (!nrxi_add_ok(rows, cols, &dim) || !nrxi_mul_ok(dim, dim, &size) || size > (size_t)-1 / 128)
        return nrxi_fail(env, NRX_E_RANGE, "%s: a matrix of %zux%zu overflows", who, rows, cols);
    if (rows > 0 && cols > 0 && (!a || !out))
        return nrxi_fail(env, NRX_E_ARG, "%s: the %s is NULL", who, a ? "output" : "matrix");
    if (!nrxi_all_finite(a, rows * cols, dtype))
        return nrxi_fail(env, NRX_E_NUMERIC, "%s: the %zux%zu matrix is not finite", who, rows, cols);
    return NRX_OK;
}

/* f64 copy, transposed when asked for, times factor. */
NRXI_FN void nrxi_opt_to_f64(
    int dtype, size_t rows, size_t cols, const void *a, int trans, double factor, double *out)
{
    size_t i, j;
    for (i = 0; i < rows; i++)
        for (j = 0; j < cols; j++) {
            double v = dtype == NRX_F32 ? (double)((const float *)a)[i * cols + j]
                                        : ((const double *)a)[i * cols + j];
            out[trans ? j * rows + i : i * cols + j] = factor * v;
        }
}
/* The way back: out (rows x cols) = factor a, a being cols x rows when trans. */
NRXI_FN void nrxi_opt_from_f64(
    int dtype, size_t rows, size_t cols, const double *a, int trans, double factor, void *out)
{
    size_t i, j;
    for (i = 0; i < rows; i++)
        for (j = 0; j < cols; j++) {
            double v = factor * a[trans ? j * rows + i : i * cols + j];
            if (dtype == NRX_F32) ((float *)out)[i * cols + j] = (float)v;
            else ((double *)out)[i * cols + j] = v;
        }
}

/* Frobenius norm without overflow or underflow on the way. */
NRXI_FN double nrxi_opt_frobenius(int dtype, size_t n, const void *a)
{
    double s = nrxi_vec_norm(n, dtype, a), big = 0.0, f;
    size_t i;
    if (dtype == NRX_F32 || (s > 1e-140 && nrxi_finite_f64(&s))) return s;
    big = nrxi_la_max(n, (const double *)a, 1);
    f = nrxi_la_scale(big);
    for (i = 0, s = 0.0; i < n; i++) s += (((const double *)a)[i] * f) * (((const double *)a)[i] * f);
    return sqrt(s) / f;
}

/* >>> twin f64 */
/* x (rows x cols, in place): steps of x (a I + b A + c A^2), A = x^T x or x x^T. Kaon squares I - A
   instead, which keeps the factor positive semidefinite. next: rows*cols; gram, poly: k*k; work: the
   gemm's. */
NRXI_FN void nrxi_opt_quintic_f64(size_t rows, size_t cols, double *x, const double *coef, size_t steps,
    int kaon, double *next, double *gram, double *poly, double *work, const nrx_env *env)
{
    size_t k = rows < cols ? rows : cols, other = rows < cols ? cols : rows, t, i, j;
    int tall = rows > cols;
    double *from = x, *to = next;
    for (t = 0; t < steps; t++, coef += 3) {
        const double a = (double)coef[0], b = (double)coef[1], c = (double)coef[2];
        nrxi_gemm_symmetric_f64(tall, k, other, 1, from, cols, 0, gram, k, work, env);
        if (kaon) {
            for (i = 0; i < k; i++) {
                for (j = 0; j < k; j++) gram[i * k + j] = -gram[i * k + j];
                gram[i * k + i] += (double)1;
            }
            nrxi_gemm_symmetric_f64(0, k, k, a, gram, k, 0, poly, k, work, env);
        } else {
            memcpy(poly, gram, k * k * sizeof *poly);
            nrxi_gemm_part_f64(
                NRXI_GEMM_LOWER, 0, 0, k, k, k, c, gram, k, gram, k, b, poly, k, work, env);
            for (i = 0; i < k; i++) poly[i * k + i] += a;
            nrxi_gemm_mirror_f64(k, poly, k);
        }
        if (tall) nrxi_gemm_f64(0, 0, rows, cols, k, 1, from, cols, poly, k, 0, to, cols, work, env);
        else nrxi_gemm_f64(0, 0, rows, cols, k, 1, poly, k, from, cols, 0, to, cols, work, env);
        to = from;
        from = from == x ? next : x;
    }
    if (from != x) memcpy(x, from, rows * cols * sizeof *x);
}
/* Elements of workspace for nrxi_opt_orth_f64. */
NRXI_FN size_t nrxi_opt_orth_work_f64(size_t rows, size_t cols)
{
    size_t k = rows < cols ? rows : cols, other = rows < cols ? cols : rows,
           w = nrxi_gemm_work_f64(k, k, other), w2 = nrxi_gemm_work_f64(k, k, k);
    size_t w3 = nrxi_gemm_work_f64(rows, cols, k);
    if (w2 > w) w = w2;
    if (w3 > w) w = w3;
    return rows * cols + 2 * k * k + w + 64;
}
/* x = p(g / norm), polynomials as coef says (in steps of three); x may be g. */
NRXI_FN void nrxi_opt_orth_f64(size_t rows, size_t cols, const double *g, nrxi_sum norm, double *x,
    const double *coef, size_t steps, int kaon, double *work, const nrx_env *env)
{
    size_t k = rows < cols ? rows : cols, i;
    double *gram = work + rows * cols, *poly = gram + k * k;
    for (i = 0; i < rows * cols; i++) x[i] = norm > 0.0 ? (double)((nrxi_sum)g[i] / norm) : (double)0;
    if (norm > 0.0)
        nrxi_opt_quintic_f64(rows, cols, x, coef, steps, kaon, work, gram, poly, poly + k * k, env);
}
/* === twin f32 */
/* x (rows x cols, in place): steps of x (a I + b A + c A^2), A = x^T x or x x^T. Kaon squares I - A
   instead, which keeps the factor positive semidefinite. next: rows*cols; gram, poly: k*k; work: the
   gemm's. */
NRXI_FN void nrxi_opt_quintic_f32(size_t rows, size_t cols, float *x, const float *coef, size_t steps,
    int kaon, float *next, float *gram, float *poly, float *work, const nrx_env *env)
{
    size_t k = rows < cols ? rows : cols, other = rows < cols ? cols : rows, t, i, j;
    int tall = rows > cols;
    float *from = x, *to = next;
    for (t = 0; t < steps; t++, coef += 3) {
        const float a = (float)coef[0], b = (float)coef[1], c = (float)coef[2];
        nrxi_gemm_symmetric_f32(tall, k, other, 1, from, cols, 0, gram, k, work, env);
        if (kaon) {
            for (i = 0; i < k; i++) {
                for (j = 0; j < k; j++) gram[i * k + j] = -gram[i * k + j];
                gram[i * k + i] += (float)1;
            }
            nrxi_gemm_symmetric_f32(0, k, k, a, gram, k, 0, poly, k, work, env);
        } else {
            memcpy(poly, gram, k * k * sizeof *poly);
            nrxi_gemm_part_f32(
                NRXI_GEMM_LOWER, 0, 0, k, k, k, c, gram, k, gram, k, b, poly, k, work, env);
            for (i = 0; i < k; i++) poly[i * k + i] += a;
            nrxi_gemm_mirror_f32(k, poly, k);
        }
        if (tall) nrxi_gemm_f32(0, 0, rows, cols, k, 1, from, cols, poly, k, 0, to, cols, work, env);
        else nrxi_gemm_f32(0, 0, rows, cols, k, 1, poly, k, from, cols, 0, to, cols, work, env);
        to = from;
        from = from == x ? next : x;
    }
    if (from != x) memcpy(x, from, rows * cols * sizeof *x);
}
/* Elements of workspace for nrxi_opt_orth_f32. */
NRXI_FN size_t nrxi_opt_orth_work_f32(size_t rows, size_t cols)
{
    size_t k = rows < cols ? rows : cols, other = rows < cols ? cols : rows,
           w = nrxi_gemm_work_f32(k, k, other), w2 = nrxi_gemm_work_f32(k, k, k);
    size_t w3 = nrxi_gemm_work_f32(rows, cols, k);
    if (w2 > w) w = w2;
    if (w3 > w) w = w3;
    return rows * cols + 2 * k * k + w + 64;
}
/* x = p(g / norm), polynomials as coef says (in steps of three); x may be g. */
NRXI_FN void nrxi_opt_orth_f32(size_t rows, size_t cols, const float *g, nrxi_sum norm, float *x,
    const float *coef, size_t steps, int kaon, float *work, const nrx_env *env)
{
    size_t k = rows < cols ? rows : cols, i;
    float *gram = work + rows * cols, *poly = gram + k * k;
    for (i = 0; i < rows * cols; i++) x[i] = norm > 0.0 ? (float)((nrxi_sum)g[i] / norm) : (float)0;
    if (norm > 0.0)
        nrxi_opt_quintic_f32(rows, cols, x, coef, steps, kaon, work, gram, poly, poly + k * k, env);
}
/* <<< twin */

enum { NRXI_OPT_NS_MAX = 64 }; /* steps */

/* Coefficients of `steps` polynomials and the factor that the norm is multiplied with before. */
NRXI_FN double nrxi_opt_ns_table(int kind, size_t steps, double *coef)
{
    static const double polar[8][3] = {{8.28721201814563, -23.595886519098837, 17.300387312530933},
        {4.107059111542203, -2.9478499167379106, 0.5448431082926601},
        {3.9486908534822946, -2.908902115962949, 0.5518191394370137},
        {3.3184196573706015, -2.488488024314874, 0.51004894012372},
        {2.300652019954817, -1.6689039845747493, 0.4188073119525673},
        {1.891301407787398, -1.2679958271945868, 0.37680408948524835},
        {1.8750014808534479, -1.2500016453999487, 0.3750001645474248}, {1.875, -1.25, 0.375}};
    static const double dion[5][3] = {{8.156554524902461, -22.48329292557795, 15.878769915207462},
        {4.042929935166739, -2.808917465908714, 0.5000178451051316},
        {3.8916678022926607, -2.772484153217685, 0.5060648178503393},
        {3.285753657755655, -2.3681294933425376, 0.46449024233003106},
        {2.3465413258596377, -1.7097828382687081, 0.42323551169305323}};
    size_t t;
    for (t = 0; t < steps; t++, coef += 3) {
        const double *row = NULL;
        double safety = 1.0;
        coef[0] = 3.4445; coef[1] = -4.7750; coef[2] = 2.0315;
        if (kind == NRX_NS_POLAR_EXPRESS) { row = polar[t < 8 ? t : 7]; if (t + 1 < steps) safety = 1.01; }
        else if (kind == NRX_NS_DION) row = t < 5 ? dion[t] : polar[7];
        else if (kind == NRX_NS_CUBIC) { coef[0] = 1.5; coef[1] = -0.5; coef[2] = 0.0; }
        else if (kind == NRX_NS_KAON) { coef[0] = 4.1; coef[1] = coef[2] = 0.0; }
        if (row) {
            coef[0] = row[0] / safety;
            coef[1] = row[1] / (safety * safety * safety);
            coef[2] = row[2] / (safety * safety * safety * safety * safety);
        }
    }
    return kind == NRX_NS_POLAR_EXPRESS ? 1.01 : kind == NRX_NS_DION ? 1.02 : 1.0;
}

NRXI_FN size_t nrxi_opt_orth_work(int dtype, size_t rows, size_t cols) /* bytes */
{
    return dtype == NRX_F32 ? nrxi_opt_orth_work_f32(rows, cols) * sizeof(float)
                            : nrxi_opt_orth_work_f64(rows, cols) * sizeof(double);
}
NRXI_FN void nrxi_opt_orth(int dtype, size_t rows, size_t cols, const void *g, double norm, void *x,
    const double *coef, size_t steps, int kaon, void *work, const nrx_env *env)
{
    float coef32[3 * NRXI_OPT_NS_MAX];
    size_t i;
    for (i = 0; i < 3 * steps; i++) coef32[i] = (float)coef[i];
    if (dtype == NRX_F32)
        nrxi_opt_orth_f32(
            rows, cols, (const float *)g, norm, (float *)x, coef32, steps, kaon, (float *)work, env);
    else
        nrxi_opt_orth_f64(
            rows, cols, (const double *)g, norm, (double *)x, coef, steps, kaon, (double *)work, env);
}

NRX_DEF nrx_status nrx_opt_newton_schulz(
    int dtype, size_t rows, size_t cols, const void *g, void *x, const nrx_opt_ns_desc *desc)
{
    nrx_opt_ns_desc d = NRX_ZERO;
    double coef[3 * NRXI_OPT_NS_MAX], norm, eps;
    void *work;
    nrx_status status;
    if (desc) d = *desc;
    if (d.steps == 0) d.steps = 5;
    if (d.steps > NRXI_OPT_NS_MAX || d.coefficients < 0 || d.coefficients > NRX_NS_KAON)
        return nrxi_fail(&d.env, NRX_E_ARG,
            "nrx_opt_newton_schulz: %zu steps of coefficients %d; expected at most 64 of NRX_NS_*", d.steps,
            d.coefficients);
    status = nrxi_opt_matrix_check("nrx_opt_newton_schulz", dtype, rows, cols, g, x, &d.env);
    if (status != NRX_OK || rows * cols == 0) return status;
    work = nrxi_alloc(&d.env, nrxi_opt_orth_work(dtype, rows, cols), 1);
    if (!work)
        return nrxi_fail(
            &d.env, NRX_E_NOMEM, "nrx_opt_newton_schulz: no memory for a matrix of %zux%zu", rows, cols);
    norm = nrxi_opt_frobenius(dtype, rows * cols, g);
    eps = d.eps == 0.0 ? 1e-7 : d.eps < 0.0 ? 0.0 : d.eps;
    if (norm > 0.0) norm = norm * nrxi_opt_ns_table(d.coefficients, d.steps, coef) + eps;
    nrxi_opt_orth(dtype, rows, cols, g, norm, x, coef, d.steps, d.coefficients == NRX_NS_KAON, work, &d.env);
    nrxi_free(&d.env, work);
    return NRX_OK;
}

/* ---- Kaon ---- */

/* d = Kaon's direction of g (another array); returns 1 when the rank-one guard acted. norm = |g|_F > 0;
   work as nrxi_opt_orth. */
NRXI_FN int nrxi_opt_kaon(int dtype, size_t rows, size_t cols, const void *g, void *d, size_t steps,
    double norm, void *work, const nrx_env *env)
{
    double coef[3 * NRXI_OPT_NS_MAX];
    size_t n = rows * cols;
    (void)nrxi_opt_ns_table(NRX_NS_KAON, steps, coef);
    if (rows > 1 && cols > 1) { /* one step shows whether G has rank one: only then does everything vanish */
        nrxi_opt_orth(dtype, rows, cols, g, norm, d, coef, 1, 1, work, env);
        if (nrxi_vec_norm(n, dtype, d) >= 1e-3) {
            if (steps > 1) nrxi_opt_orth(dtype, rows, cols, d, 1.0, d, coef, steps - 1, 1, work, env);
            nrxi_vec_scale(n, dtype, 1.0 / 1.175, d);
            return 0;
        }
    }
    nrxi_opt_orth(dtype, rows, cols, g, norm, d, coef, 0, 1, work, env);
    return 1;
}

NRX_DEF nrx_status nrx_opt_kaon(int dtype, size_t rows, size_t cols, const void *g, void *d, size_t steps,
    int *fallback, const nrx_env *env)
{
    size_t bytes, copy = rows * cols * nrxi_dtype_size(dtype);
    double norm;
    int guarded = 0;
    unsigned char *work;
    nrx_status status;
    if (fallback) *fallback = 0;
    if (steps == 0) steps = 5;
    if (steps > NRXI_OPT_NS_MAX)
        return nrxi_fail(env, NRX_E_ARG, "nrx_opt_kaon: %zu steps, expected at most 64", steps);
    status = nrxi_opt_matrix_check("nrx_opt_kaon", dtype, rows, cols, g, d, env);
    if (status != NRX_OK || rows * cols == 0) return status;
    bytes = nrxi_opt_orth_work(dtype, rows, cols);
    work = (unsigned char *)nrxi_alloc(env, bytes + copy, 1);
    if (!work)
        return nrxi_fail(env, NRX_E_NOMEM, "nrx_opt_kaon: no memory for a matrix of %zux%zu", rows, cols);
    norm = nrxi_opt_frobenius(dtype, rows * cols, g);
    if (d == g) { memcpy(work + bytes, g, copy); g = work + bytes; }
    if (norm > 0.0) guarded = nrxi_opt_kaon(dtype, rows, cols, g, d, steps, norm, work, env);
    else memset(d, 0, copy);
    if (fallback) *fallback = guarded;
    nrxi_free(env, work);
    return NRX_OK;
}

/* ---- polar decomposition by QDWH; everything in f64 ---- */

/* a, b, c of the next step from the lower bound l of the singular values, and the next bound. */
NRXI_FN void nrxi_opt_qdwh_coefficients(double *l, double *a, double *b, double *c)
{
    double l2 = *l * *l, d = cbrt(4.0 * (1.0 - l2) / (l2 * l2)), s = sqrt(1.0 + d), next;
    *a = s + 0.5 * sqrt(8.0 - 4.0 * d + 8.0 * (2.0 - l2) / (l2 * s));
    if (!nrxi_finite_f64(a)) *a = 3.0;
    *b = 0.25 * (*a - 1.0) * (*a - 1.0);
    *c = *a + *b - 1.0;
    next = *l * (*a + *b * l2) / (1.0 + *c * l2);
    *l = next < 1.0 ? next : 1.0;
}

/* W = L^-1 (zeros above the diagonal) for A = L L^T, of which the lower triangle is read; A is
   overwritten. In halves, so that nearly everything is products: L21 = A21 W11^T, A22 -= L21 L21^T, W21 =
   -W22 L21 W11. t: (n/2 + 4)^2. Meant for matrices of moderate condition, or where what comes out is
   checked. */
NRXI_FN nrx_status nrxi_opt_cholesky_inverse(
    size_t n, double *a, size_t lda, double *w, size_t ldw, double *t, double *work, const nrx_env *env)
{
    size_t h = (n / 2 + 7) / 8 * 8, m = n - h, i, j, k;
    double *a21 = a + h * lda, *w21 = w + h * ldw;
    nrx_status status;
    if (n <= 32) {
        if ((status = nrxi_cholesky(n, a, lda)) != NRX_OK) return status;
        for (i = 0; i < n; i++) {          /* row i of L W = I, W from the rows above */
            double *wi = w + i * ldw, f = 1.0 / a[i * lda + i];
            for (j = 0; j < n; j++) wi[j] = 0.0;
            for (k = 0; k < i; k++)
                for (j = 0; j <= k; j++) wi[j] -= a[i * lda + k] * w[k * ldw + j];
            for (j = 0; j < i; j++) wi[j] *= f;
            wi[i] = f;
        }
        return NRX_OK;
    }
    if ((status = nrxi_opt_cholesky_inverse(h, a, lda, w, ldw, t, work, env)) != NRX_OK) return status;
    nrxi_gemm_part_f64(NRXI_GEMM_B_UPPER, 0, 1, m, h, h, 1.0, a21, lda, w, ldw, 0.0, t, h, work, env);
    nrxi_gemm_part_f64(NRXI_GEMM_LOWER, 0, 1, m, m, h, -1.0, t, h, t, h, 1.0, a21 + h, lda, work, env);
    nrxi_gemm_part_f64(NRXI_GEMM_B_LOWER, 0, 0, m, h, h, 1.0, t, h, w, ldw, 0.0, a21, lda, work, env);
    if ((status = nrxi_opt_cholesky_inverse(m, a21 + h, lda, w21 + h, ldw, t, work, env)) != NRX_OK)
        return status;
    nrxi_gemm_part_f64(
        NRXI_GEMM_A_LOWER, 0, 0, m, h, m, -1.0, w21 + h, ldw, a21, lda, 0.0, w21, ldw, work, env);
    for (i = 0; i < h; i++) memset(w + i * ldw + h, 0, m * sizeof *w);
    return NRX_OK;
}

NRXI_FN size_t nrxi_opt_gemm_most(size_t m, size_t n)
{
    size_t w = nrxi_gemm_work_f64(m, n, m), w2 = nrxi_gemm_work_f64(m, n, n),
           w3 = nrxi_gemm_work_f64(n, n, m), w4 = nrxi_gemm_work_f64(m, m, n);
    return nrxi_opt_max_size(nrxi_opt_max_size(w, w2), nrxi_opt_max_size(w3, w4));
}

/* Doubles of workspace of nrxi_opt_qdwh for m >= n. */
NRXI_FN size_t nrxi_opt_qdwh_work(size_t m, size_t n)
{
    return nrxi_opt_max_size(2 * (m + n) * n, 3 * m * n) + m * n + 2 * n * n + n +
           nrxi_opt_max_size(nrxi_opt_gemm_most(2 * m + n, n), nrxi_gemm_work_f32(m, n, n) / 2 + 1) + 64;
}

/* e = I - X^T X, both triangles, exact but for the last bit of 1: the Gram matrix of X cut to 26 bits is
   exact in f64, the rest is small (after Ozaki et al. 2012). Returns |e|_F. cut: 3 m x n. */
NRXI_FN double nrxi_opt_polar_defect(
    size_t m, size_t n, const double *x, double *cut, double *e, double *work, const nrx_env *env)
{
    const size_t mn = m * n;
    double *low = cut + mn, *high = low + mn;
    size_t i;
    for (i = 0; i < mn; i++) {
        high[i] = (double)(int32_t)(x[i] * 67108864.0) * (1.0 / 67108864.0);      /* |x| <= 1 */
        low[i] = x[i] - high[i];
    }
    nrxi_gemm_part_f64(NRXI_GEMM_LOWER, 1, 0, n, n, m, -1.0, high, n, high, n, 0.0, e, n, work, env);
    for (i = 0; i < n; i++) e[i * n + i] += 1.0;
    for (i = 0; i < mn; i++) cut[i] = high[i] += 0.5 * low[i]; /* [high; low]^T [low; high] */
    nrxi_gemm_part_f64(NRXI_GEMM_LOWER, 1, 0, n, n, 2 * m, -1.0, cut, n, low, n, 1.0, e, n, work, env);
    nrxi_gemm_mirror_f64(n, e, n);
    return nrxi_vec_norm(n * n, NRX_F64, e);
}

/* The polish: X += X e / 2, e = I - X^T X with |e|_F = norm, which leaves 3/4 |e|^2. A small e needs its
   seven digits of f32 only: the product is done in f32 (in `low`, m x n doubles). */
NRXI_FN void nrxi_opt_polar_polish(size_t m, size_t n, double *x, double *e, double norm, double *low,
    double *work, const nrx_env *env)
{
    const size_t mn = m * n, nn = n * n;
    double *copy = low;
    size_t i;
    if (norm < 1e-9) {
        float *x32 = (float *)low, *e32 = x32 + mn, *y32 = e32 + nn;
        for (i = 0; i < mn; i++) x32[i] = (float)x[i];
        for (i = 0; i < nn; i++) e32[i] = (float)e[i];
        nrxi_gemm_f32(0, 0, m, n, n, 0.5f, x32, n, e32, n, 0.0f, y32, n, (float *)work, env);
        for (i = 0; i < mn; i++) x[i] += (double)y32[i];
        return;
    }
    memcpy(copy, x, mn * sizeof *x);
    nrxi_gemm_f64(0, 0, m, n, n, 0.5, copy, n, e, n, 1.0, x, n, work, env);
}

/* An upper bound of |G|_2, G symmetric (lower triangle): the smaller of |G|_inf and |G|_F. v: n. */
NRXI_FN double nrxi_opt_symmetric_bound(size_t n, const double *g, double *v)
{
    double sum = 0.0, most = 0.0;
    size_t i, j;
    memset(v, 0, n * sizeof *v);
    for (i = 0; i < n; i++) {
        const double *row = g + i * n;
        sum += row[i] * row[i] + 2.0 * nrxi_la_dot(i, row, row);
        v[i] += fabs(row[i]);
        for (j = 0; j < i; j++) { v[i] += fabs(row[j]); v[j] += fabs(row[j]); }
    }
    for (i = 0; i < n; i++) if (v[i] > most) most = v[i];
    sum = sqrt(sum);
    return sum < most ? sum : most;
}

/* A lower bound of sigma_min(X), |X|_2 <= 1, when X is conditioned well enough for its Gram matrix to
   tell: inverse iteration, a quarter of what it finds. Otherwise 1e-17, which costs up to two more
   iterations. gram: X^T X (lower triangle); z, w: n*n, t: as nrxi_opt_cholesky_inverse; v: n. */
NRXI_FN double nrxi_opt_qdwh_lower(size_t n, const double *gram, double *z, double *w, double *t, double *v,
    double *work, const nrx_env *env)
{
    double norm = 0.0;
    size_t i, j;
    int k;
    memcpy(z, gram, n * n * sizeof *z);
    if (nrxi_opt_cholesky_inverse(n, z, n, w, n, t, work, env) != NRX_OK) return 1e-17;
    for (i = 0; i < n; i++) v[i] = 1.0 + 0.5 * (double)((i * 7919u) % 101u) / 101.0;
    for (k = 0; k < 4; k++) {                                    /* v <- W^T W v / |v| */
        norm = 1.0 / nrxi_vec_norm(n, NRX_F64, v);
        for (i = n; i-- > 0;) t[i] = norm * nrxi_la_dot(i + 1, w + i * n, v);
        memset(v, 0, n * sizeof *v);
        for (j = 0; j < n; j++) nrxi_la_axpy(j + 1, t[j], w + j * n, v);
    }
    norm = nrxi_vec_norm(n, NRX_F64, v); /* about 1 / sigma_min^2 */
    return nrxi_finite_f64(&norm) && norm < 1e12 ? 0.25 / sqrt(norm) : 1e-17;
}

/* L^-1 in place, L lower triangular with its zeros stored, in halves. t: (n/2 + 4)^2. */
NRXI_FN void nrxi_opt_lower_inverse(size_t n, double *l, size_t ldl, double *t, double *work, const nrx_env *env)
{
    size_t h = (n / 2 + 7) / 8 * 8, m = n - h, i, j, k;
    double *l21 = l + h * ldl;
    if (n <= 32) {
        for (i = 0; i < n; i++) { /* row i from the rows above, which are done */
            double *row = l + i * ldl, f = 1.0 / row[i];
            double old[32];
            for (k = 0; k < i; k++) { old[k] = row[k]; row[k] = 0.0; }
            for (k = 0; k < i; k++)
                for (j = 0; j <= k; j++) row[j] -= old[k] * l[k * ldl + j];
            for (j = 0; j < i; j++) row[j] *= f;
            row[i] = f;
        }
        return;
    }
    nrxi_opt_lower_inverse(h, l, ldl, t, work, env);
    nrxi_opt_lower_inverse(m, l21 + h, ldl, t, work, env);
    nrxi_gemm_part_f64(NRXI_GEMM_B_LOWER, 0, 0, m, h, h, -1.0, l21, ldl, l, ldl, 0.0, t, h, work, env);
    nrxi_gemm_part_f64(NRXI_GEMM_A_LOWER, 0, 0, m, h, m, 1.0, l21 + h, ldl, t, h, 0.0, l21, ldl, work, env);
}

enum { NRXI_OPT_PANEL = 32 };

/* w = T^T (lower, zeros stored) from the lower triangle of V^T V in w, for the reflections I - V T V^T: T^-1
   is the upper triangle of V^T V with half its diagonal (Puglisi 1992; Joffrain et al. 2006). */
NRXI_FN void nrxi_opt_reflections(size_t n, double *w, size_t ldw, double *t, double *work, const nrx_env *env)
{
    size_t i;
    for (i = 0; i < n; i++) {
        w[i * ldw + i] *= 0.5;
        memset(w + i * ldw + i + 1, 0, (n - i - 1) * sizeof *w);
    }
    nrxi_opt_lower_inverse(n, w, ldw, t, work, env);
}

/* y (m x n) = Q1 Q2^T for [rc X; I] = [Q1; Q2] R by Householder reflections, for any rc. Reflection j lives in
   rows j to m + j of the stack, R is never needed, and all but the panels is products of triangles: with V =
   [V1; V2] and B = T V1_top^T, Q1 = E - V1 B and Q2 = -V2 B. v: n x (m + n), the columns of the stack as
   rows; z: n x n; q: (m + n) x n. */
NRXI_FN void nrxi_opt_qdwh_householder(size_t m, size_t n, const double *x, double rc, double *y, double *v,
    double *z, double *q, double *work, const nrx_env *env)
{
    enum { LL = NRXI_GEMM_LOWER | NRXI_GEMM_A_LOWER | NRXI_GEMM_B_LOWER };
    double small[NRXI_OPT_PANEL * NRXI_OPT_PANEL], t[NRXI_OPT_PANEL * NRXI_OPT_PANEL], *q1 = q + n * n, *at;
    size_t ld = m + n, i, j, k, b, len;
    nrxi_la_transpose(m, n, x, n, v, ld);
    for (i = 0; i < n; i++) {
        for (j = 0; j < m; j++) v[i * ld + j] *= rc;
        memset(v + i * ld + m, 0, n * sizeof *v);
        v[i * ld + m + i] = 1.0;
    }
    for (i = 0; i < n; i += b) {
        b = nrxi_opt_min_size(NRXI_OPT_PANEL, n - i);
        for (j = i; j < i + b; j++) {
            double *vj = v + j * ld + j, size, f;
            len = m + 1; /* rows j to m + j */
            size = sqrt(nrxi_la_dot(len, vj, vj));
            f = 1.0 / (vj[0] + (vj[0] < 0.0 ? -size : size));
            for (k = 1; k < len; k++) vj[k] *= f;
            vj[0] = 1.0;
            memset(v + j * ld, 0, j * sizeof *v);
            f = -2.0 / nrxi_la_dot(len, vj, vj);
            for (k = j + 1; k < i + b; k++)
                nrxi_la_axpy(len, f * nrxi_la_dot(len, vj, v + k * ld + j), vj, v + k * ld + j);
        }
        at = v + i * ld + i;
        k = n - i - b;
        if (k == 0) break;
        len = m + b;
        nrxi_gemm_part_f64(NRXI_GEMM_LOWER, 0, 1, b, b, len, 1.0, at, ld, at, ld, 0.0, small, b, work, env);
        nrxi_opt_reflections(b, small, b, t, work, env);
        nrxi_gemm_f64(0, 1, k, b, len, 1.0, at + b * ld, ld, at, ld, 0.0, q, b, work, env);
        nrxi_gemm_f64(0, 1, k, b, b, 1.0, q, b, small, b, 0.0, q1, b, work, env);
        nrxi_gemm_f64(0, 0, k, len, b, -1.0, q1, b, at, ld, 1.0, at + b * ld, ld, work, env);
    }
    nrxi_gemm_part_f64(NRXI_GEMM_LOWER | NRXI_GEMM_A_UPPER | NRXI_GEMM_B_LOWER, 0, 1, n, n, m, 1.0, v, ld, v,
        ld, 0.0, q, n, work, env);
    nrxi_gemm_part_f64(NRXI_GEMM_LOWER | NRXI_GEMM_A_LOWER | NRXI_GEMM_B_UPPER, 0, 1, n, n, n, 1.0, v + m, ld,
        v + m, ld, 1.0, q, n, work, env);
    nrxi_opt_reflections(n, q, n, q1, work, env);
    memset(z, 0, n * n * sizeof *z);
    nrxi_gemm_part_f64(LL, 1, 0, n, n, n, 1.0, v, ld, q, n, 0.0, z, n, work, env); /* z = B^T */
    memset(q, 0, n * n * sizeof *q);
    nrxi_gemm_part_f64(LL, 0, 0, n, n, n, -1.0, z, n, v + m, ld, 0.0, q, n, work, env); /* q = Q2^T */
    nrxi_gemm_part_f64(NRXI_GEMM_A_LOWER | NRXI_GEMM_B_UPPER, 1, 1, m, n, n, -1.0, v, ld, z, n, 0.0, q1, n,
        work, env);
    for (i = 0; i < n; i++) q1[i * n + i] += 1.0;
    nrxi_gemm_part_f64(NRXI_GEMM_B_LOWER, 0, 0, m, n, n, 1.0, q1, n, q, n, 0.0, y, n, work, env);
}

/* The same by products (Cholesky QR with a second pass: Yamamoto et al. 2015): with Z = I + rc^2 X^T X = L
   L^T and W = L^-1, Q1 = rc X W^T and Q2 = W^T are orthonormal but for E = Q1^T Q1 + Q2^T Q2 - I. Upper
   triangular U with U + U^T = E gives (I + U)^T (I + U) = I + E but for E^2: Q1 (I - U) and Q2 (I - U) are
   taken. NRX_E_NUMERIC when E^2 is no rounding: then the condition was too bad. gram: X^T X (lower
   triangle); q1, s: m x n; z, w, e: n x n; s may not overlap e. */
NRXI_FN nrx_status nrxi_opt_qdwh_products(size_t m, size_t n, const double *x, const double *gram, double rc,
    double *y, double *q1, double *z, double *w, double *e, double *work, const nrx_env *env)
{
    double size;
    size_t i, j;
    for (i = 0; i < n * n; i++) z[i] = rc * rc * gram[i];
    for (i = 0; i < n; i++) z[i * n + i] += 1.0;
    if (nrxi_opt_cholesky_inverse(n, z, n, w, n, e, work, env) != NRX_OK) return NRX_E_NUMERIC;
    nrxi_gemm_part_f64(NRXI_GEMM_B_UPPER, 0, 1, m, n, n, rc, x, n, w, n, 0.0, y, n, work, env);
    nrxi_gemm_part_f64(NRXI_GEMM_LOWER, 1, 0, n, n, m, 1.0, y, n, y, n, 0.0, e, n, work, env);
    nrxi_gemm_part_f64(NRXI_GEMM_LOWER | NRXI_GEMM_A_LOWER | NRXI_GEMM_B_UPPER, 0, 1, n, n, n, 1.0, w, n, w,
        n, 1.0, e, n, work, env);
    for (i = 0; i < n; i++) { /* e <- U^T */
        e[i * n + i] = 0.5 * (e[i * n + i] - 1.0);
        for (j = i + 1; j < n; j++) e[i * n + j] = 0.0;
    }
    size = nrxi_vec_norm(n * n, NRX_F64, e);
    if (!(size < 2e-9)) return NRX_E_NUMERIC;
    memcpy(z, w, n * n * sizeof *z); /* z = (I - U)^T W, q1 = Q1 (I - U), y = q1 z */
    nrxi_gemm_part_f64(NRXI_GEMM_LOWER | NRXI_GEMM_A_LOWER | NRXI_GEMM_B_LOWER, 0, 0, n, n, n, -1.0, e, n, w,
        n, 1.0, z, n, work, env);
    memcpy(q1, y, m * n * sizeof *q1);
    nrxi_gemm_part_f64(NRXI_GEMM_B_UPPER, 0, 1, m, n, n, -1.0, y, n, e, n, 1.0, q1, n, work, env);
    nrxi_gemm_part_f64(NRXI_GEMM_B_LOWER, 0, 0, m, n, n, 1.0, q1, n, z, n, 0.0, y, n, work, env);
    return NRX_OK;
}

/* v = A^-1, both triangles, A symmetric positive definite (lower triangle, overwritten). w: n x n; t: as
   nrxi_opt_cholesky_inverse. */
NRXI_FN nrx_status nrxi_opt_symmetric_inverse(
    size_t n, double *a, double *w, double *t, double *v, double *work, const nrx_env *env)
{
    nrx_status status = nrxi_opt_cholesky_inverse(n, a, n, w, n, t, work, env);
    if (status != NRX_OK) return status;
    nrxi_gemm_part_f64(NRXI_GEMM_LOWER | NRXI_GEMM_A_UPPER | NRXI_GEMM_B_LOWER, 1, 0, n, n, n, 1.0, w, n, w,
        n, 0.0, v, n, work, env); /* W^T W */
    nrxi_gemm_mirror_f64(n, v, n);
    return NRX_OK;
}

/* y = one step of X by Cholesky, Z = I + c X^T X: (b/c) X + (a - b/c) X Z^-1. gram: X^T X (lower triangle);
   z: n x n; k, q: (m + n) x n. */
NRXI_FN nrx_status nrxi_opt_qdwh_cholesky(size_t m, size_t n, const double *x, const double *gram, double a,
    double b, double c, double *y, double *z, double *k, double *q, double *work, const nrx_env *env)
{
    size_t i;
    nrx_status status;
    for (i = 0; i < n * n; i++) z[i] = c * gram[i];
    for (i = 0; i < n; i++) z[i * n + i] += 1.0;
    if ((status = nrxi_opt_cholesky_inverse(n, z, n, q, n, k, work, env)) != NRX_OK) return status;
    nrxi_gemm_part_f64(NRXI_GEMM_B_UPPER, 0, 1, m, n, n, 1.0, x, n, q, n, 0.0, k, n, work, env);
    memcpy(y, x, m * n * sizeof *x);
    nrxi_gemm_part_f64(NRXI_GEMM_B_LOWER, 0, 0, m, n, n, a - b / c, k, n, q, n, b / c, y, n, work, env);
    return NRX_OK;
}

/* The same for all steps that are left (c <= 100 in each), at most `most`, until 1 - l^2 < 1e-10. But for
   the last product, y = X S, they are among symmetric n x n matrices that commute: with f = b/c, g = a -
   b/c and T = f I + g Z^-1, S is multiplied by T and the Gram matrix G by T^2, where T^2 G = f^2 G + 2 f
   g/c (I - Z^-1) + g^2/c (Z^-1 - Z^-2). gram is lost. */
NRXI_FN nrx_status nrxi_opt_qdwh_chain(size_t m, size_t n, const double *x, double *gram, double *l,
    size_t most, size_t *steps, double *y, double *z, double *k, double *q, double *work, const nrx_env *env)
{
    double a, b, c, f, g, *s = k + n * n, *free_s = q + n * n, *inv, *swap;
    size_t i, j, step;
    int more = 1;
    nrx_status status;
    for (step = 0; more; step++) {
        nrxi_opt_qdwh_coefficients(l, &a, &b, &c);
        more = step + 1 < most && 1.0 - *l * *l >= 1e-10;
        f = b / c;
        g = a - f;
        inv = step == 0 ? s : k;
        for (i = 0; i < n * n; i++) z[i] = c * gram[i];
        for (i = 0; i < n; i++) z[i * n + i] += 1.0;
        if ((status = nrxi_opt_symmetric_inverse(n, z, q, y, inv, work, env)) != NRX_OK) return status;
        if (more)
            nrxi_gemm_part_f64(NRXI_GEMM_LOWER, 0, 0, n, n, n, 1.0, inv, n, inv, n, 0.0, z, n, work, env);
        for (i = 0; more && i < n; i++) {
            for (j = 0; j <= i; j++)
                gram[i * n + j] = f * f * gram[i * n + j] - (2.0 * f - g) * g / c * inv[i * n + j] -
                                  g * g / c * z[i * n + j];
            gram[i * n + i] += 2.0 * f * g / c;
        }
        for (i = 0; i < n * n; i++) inv[i] *= g;
        for (i = 0; i < n; i++) inv[i * n + i] += f;
        if (step > 0) {
            nrxi_gemm_part_f64(NRXI_GEMM_LOWER, 0, 0, n, n, n, 1.0, inv, n, s, n, 0.0, free_s, n, work, env);
            nrxi_gemm_mirror_f64(n, free_s, n);
            swap = s; s = free_s; free_s = swap;
        }
    }
    *steps = step;
    nrxi_gemm_f64(0, 0, m, n, n, 1.0, x, n, s, n, 0.0, y, n, work, env);
    return NRX_OK;
}

/* X (m x n, m >= n, |X|_2 <= 1) -> its polar factor, singular values in [l, 1]. */
NRXI_FN nrx_status nrxi_opt_qdwh(size_t m, size_t n, double *x, const nrx_opt_polar_desc *d,
    nrx_opt_polar_info *info, double *work, const nrx_env *env)
{
    double *k = work, *q = k + (m + n) * n, *y = k + nrxi_opt_max_size(2 * (m + n) * n, 3 * m * n),
           *z = y + m * n, *gram = z + n * n, *v = gram + n * n, *gw = v + n, l = d->lower, a, b, c, e;
    const double eps = 2.220446049250313e-16;
    double *result = x, *swap;
    size_t i, steps;
    nrx_status status;
    for (;;) {
        const int last = info->iterations == d->max_iter;
        if (!d->no_polish && (last || 1.0 - l * l < 1e-10)) {
            e = nrxi_opt_polar_defect(m, n, x, k, gram, gw, env);
            if (last || e < 2e-8) {
                nrxi_opt_polar_polish(m, n, x, gram, e, k, gw, env);
                break;
            }
            for (i = 0; i < n * n; i++) gram[i] = -gram[i]; /* l was no lower bound: go on */
            for (i = 0; i < n; i++) gram[i * n + i] += 1.0;
        } else {
            if (last || (info->iterations > 0 && 1.0 - l <= 5.0 * eps && info->change <= cbrt(5.0 * eps)))
                break;
            if (!(l > 0.0 && l < 1e-6)) /* else c > 1e8, and the Gram matrix is of no use */
                nrxi_gemm_part_f64(NRXI_GEMM_LOWER, 1, 0, n, n, m, 1.0, x, n, x, n, 0.0, gram, n, gw, env);
        }
        if (!(l > 0.0)) { /* nothing is known: scale by a sharper bound of |X|_2, then find l */
            e = 1.0 / (nrxi_opt_symmetric_bound(n, gram, v) * (1.0 + 8.0 * eps));
            for (i = 0; i < n * n; i++) gram[i] *= e;
            e = sqrt(e);
            for (i = 0; i < m * n; i++) x[i] *= e;
            l = nrxi_opt_qdwh_lower(n, gram, z, q, k, v, gw, env);
        }
        e = l;
        steps = 1;
        nrxi_opt_qdwh_coefficients(&l, &a, &b, &c);
        if (c > 100.0) { /* [sqrt(c) X; I] = [Q1; Q2] R, X = (b/c) X + (a - b/c)/sqrt(c) Q1 Q2^T */
            const double rc = sqrt(c), f = b / c, g = (a - f) / rc;
            status = c < 1e8 ? nrxi_opt_qdwh_products(m, n, x, gram, rc, y, k, z, q, q + n * n, gw, env)
                             : NRX_E_NUMERIC;
            if (status != NRX_OK) nrxi_opt_qdwh_householder(m, n, x, rc, y, k, z, q, gw, env);
            for (i = 0; i < m * n; i++) y[i] = f * x[i] + g * y[i];
            info->qr_steps++;
        } else {
            if (d->no_polish) status = nrxi_opt_qdwh_cholesky(m, n, x, gram, a, b, c, y, z, k, q, gw, env);
            else {
                l = e;
                status = nrxi_opt_qdwh_chain(
                    m, n, x, gram, &l, d->max_iter - info->iterations, &steps, y, z, k, q, gw, env);
            }
            if (status != NRX_OK) return status;
        }
        info->iterations += steps;
        info->change = nrxi_vec_dist(m * n, NRX_F64, x, y);
        if (!nrxi_finite_f64(&info->change)) return NRX_E_NUMERIC;
        swap = x; x = y; y = swap;
    }
    if (x != result) memcpy(result, x, m * n * sizeof *x);
    return NRX_OK;
}

/* Power of two times an upper bound of |A|_2: the smaller of |A|_F and sqrt(|A|_1 |A|_inf); 0 for zero. m
   x n in f64; v: n. */
NRXI_FN double nrxi_opt_two_norm_bound(size_t m, size_t n, const double *a, double *v)
{
    double f = nrxi_la_scale(nrxi_la_max(m * n, a, 1)), one = 0.0, inf = 0.0, s, fro;
    size_t i, j;
    memset(v, 0, n * sizeof *v);
    for (i = 0; i < m; i++) {
        for (j = 0, s = 0.0; j < n; j++) {
            const double t = fabs(a[i * n + j] * f);
            s += t;
            v[j] += t;
        }
        if (s > inf) inf = s;
    }
    for (j = 0; j < n; j++) if (v[j] > one) one = v[j];
    fro = nrxi_opt_frobenius(NRX_F64, m * n, a);
    s = sqrt(one * inf) / f;
    return fro < s ? fro : s;
}

/* x (m x n) /= s, also for subnormal s */
NRXI_FN void nrxi_opt_divide(size_t n, double *x, double s)
{
    size_t i;
    for (i = 0; i < n; i++) x[i] /= s;
}

NRX_DEF nrx_status nrx_opt_polar(int dtype, size_t rows, size_t cols, const void *a, void *u, void *h,
    const nrx_opt_polar_desc *desc, nrx_opt_polar_info *info)
{
    nrx_opt_polar_desc d = NRX_ZERO;
    nrx_opt_polar_info own;
    size_t m = nrxi_opt_max_size(rows, cols), n = nrxi_opt_min_size(rows, cols), work_size, i, j;
    int trans = rows < cols;
    double *x, *copy, *hh, *work, bound;
    nrx_status status;
    if (!info) info = &own;
    memset(info, 0, sizeof *info);
    if (desc) d = *desc;
    if (d.max_iter == 0) d.max_iter = 12;
    if (!(d.lower >= 0.0 && d.lower < 1.0))
        return nrxi_fail(&d.env, NRX_E_ARG, "nrx_opt_polar: lower bound %g, expected 0 .. 1", d.lower);
    status = nrxi_opt_matrix_check("nrx_opt_polar", dtype, rows, cols, a, u, &d.env);
    if (status != NRX_OK || rows * cols == 0) return status;
    work_size = nrxi_opt_qdwh_work(m, n);
    x = (double *)nrxi_alloc(&d.env, m * n + (h ? m * n + cols * cols : 0) + work_size, sizeof(double));
    if (!x)
        return nrxi_fail(&d.env, NRX_E_NOMEM, "nrx_opt_polar: no memory for a matrix of %zux%zu", rows, cols);
    copy = x + m * n;
    hh = copy + (h ? m * n : 0);
    work = hh + (h ? cols * cols : 0);
    nrxi_opt_to_f64(dtype, rows, cols, a, trans, 1.0, x);
    if (h) memcpy(copy, x, m * n * sizeof *x);
    bound = d.lower > 0.0 ? nrxi_opt_two_norm_bound(m, n, x, work) : nrxi_la_max(m * n, x, 1);
    if (bound > 0.0) { /* with lower = 0 the first Gram matrix gives a sharper bound */
        nrxi_opt_divide(m * n, x, bound);
        status = nrxi_opt_qdwh(m, n, x, &d, info, work, &d.env);
    }
    if (status == NRX_OK && h) { /* H = (U^T A + A^T U)/2; transposed data: U^T A = X copy^T with X = U^T */
        if (!trans)
            nrxi_gemm_f64(1, 0, cols, cols, rows, 1.0, x, cols, copy, cols, 0.0, hh, cols, NULL, &d.env);
        else nrxi_gemm_f64(0, 1, cols, cols, rows, 1.0, x, rows, copy, rows, 0.0, hh, cols, NULL, &d.env);
        for (i = 0; i < cols; i++)
            for (j = 0; j < i; j++)
                hh[i * cols + j] = hh[j * cols + i] = 0.5 * (hh[i * cols + j] + hh[j * cols + i]);
        nrxi_opt_from_f64(dtype, cols, cols, hh, 0, 1.0, h);
    }
    if (status == NRX_OK) nrxi_opt_from_f64(dtype, rows, cols, x, trans, 1.0, u);
    else
        status = nrxi_fail(
            &d.env, status, "nrx_opt_polar: a factorization broke down at iteration %zu", info->iterations);
    nrxi_free(&d.env, x);
    return status;
}

/* ---- singular values ---- */

/* a = U diag(s) V^T in f64 (thin); s has k, u rows x k, vt k x cols inside one allocation that the caller
   frees (returned through base). */
NRXI_FN nrx_status nrxi_opt_thin_svd(const char *who, int dtype, size_t rows, size_t cols, const void *a,
    double **base, double **s, double **u, double **vt, const nrx_env *env)
{
    size_t k = nrxi_opt_min_size(rows, cols), w = nrxi_svd_work(rows, cols);
    double *p;
    nrx_status status;
    *base = NULL;
    if (w == (size_t)-1)
        return nrxi_fail(env, NRX_E_RANGE, "%s: a matrix of %zux%zu overflows", who, rows, cols);
    p = (double *)nrxi_alloc(env, rows * cols + k + (rows + cols) * k + w, sizeof *p);
    if (!p)
        return nrxi_fail(
            env, NRX_E_NOMEM, "%s: no memory for the SVD of a matrix of %zux%zu", who, rows, cols);
    *base = p;
    nrxi_opt_to_f64(dtype, rows, cols, a, 0, 1.0, p);
    *s = p + rows * cols;
    *u = *s + k;
    *vt = *u + rows * k;
    status = nrxi_svd(rows, cols, p, cols, *s, *u, k, *vt, cols, *vt + k * cols);
    if (status != NRX_OK) {
        nrxi_free(env, p);
        *base = NULL;
        return nrxi_fail(env, status, "%s: the SVD did not converge", who);
    }
    return NRX_OK;
}

/* out = U diag(s) V^T; u is overwritten */
NRXI_FN void nrxi_opt_svd_rebuild(int dtype, size_t rows, size_t cols, double *s, double *u, const double *vt,
    double *product, void *out, const nrx_env *env)
{
    size_t k = nrxi_opt_min_size(rows, cols), i, j;
    for (i = 0; i < rows; i++)
        for (j = 0; j < k; j++) u[i * k + j] *= s[j];
    nrxi_gemm_f64(0, 0, rows, cols, k, 1.0, u, k, vt, cols, 0.0, product, cols, NULL, env);
    nrxi_opt_from_f64(dtype, rows, cols, product, 0, 1.0, out);
}

NRX_DEF nrx_status nrx_opt_svt(
    int dtype, size_t rows, size_t cols, const void *a, double tau, void *x, size_t *rank, const nrx_env *env)
{
    double *base, *s, *u, *vt;
    size_t k = nrxi_opt_min_size(rows, cols), i, left = 0;
    nrx_status status = nrxi_opt_matrix_check("nrx_opt_svt", dtype, rows, cols, a, x, env);
    if (rank) *rank = 0;
    if (status != NRX_OK || k == 0) return status;
    if (!(tau >= 0.0)) return nrxi_fail(env, NRX_E_ARG, "nrx_opt_svt: threshold %g, expected >= 0", tau);
    status = nrxi_opt_thin_svd("nrx_opt_svt", dtype, rows, cols, a, &base, &s, &u, &vt, env);
    if (status != NRX_OK) return status;
    for (i = 0; i < k; i++) {
        s[i] = s[i] > tau ? s[i] - tau : 0.0;
        left += s[i] > 0.0;
    }
    nrxi_opt_svd_rebuild(dtype, rows, cols, s, u, vt, base, x, env);
    if (rank) *rank = left;
    nrxi_free(env, base);
    return NRX_OK;
}

NRX_DEF nrx_status nrx_opt_spectral_norm(
    int dtype, size_t rows, size_t cols, const void *a, double *norm, const nrx_env *env)
{
    double *base, *s, *u, *vt;
    nrx_status status = nrxi_opt_matrix_check("nrx_opt_spectral_norm", dtype, rows, cols, a, norm, env);
    if (status != NRX_OK) return status;
    *norm = 0.0;
    if (rows * cols == 0) return NRX_OK;
    status = nrxi_opt_thin_svd("nrx_opt_spectral_norm", dtype, rows, cols, a, &base, &s, &u, &vt, env);
    if (status == NRX_OK) *norm = s[0];
    if (status == NRX_OK) nrxi_free(env, base);
    return status;
}

/* ---- Freon ---- */

/* log of z w(z^b) / alpha at u = z^b, for w = alpha (1 + e^ld u)/(1 + e^lg u) */
NRXI_FN double nrxi_opt_minimax_log(double u, double log_u, int b, double d, double g)
{
    return log_u / (double)b + log1p(d * u) - log1p(g * u);
}

NRXI_FN void nrxi_opt_minimax_stationary(int b, double d, double g, double *lo, double *hi)
{
    double p = d + g + (double)b * (d - g), disc = p * p - 4.0 * d * g, q;
    if (disc <= 0.0) { *lo = *hi = HUGE_VAL; return; }
    q = 0.5 * (-p + sqrt(disc));
    *lo = 1.0 / q;
    *hi = q / (d * g);
}

/* d for a given g: the interior maximum equals the value at 1. */
NRXI_FN double nrxi_opt_minimax_inner(int b, double g)
{
    double below = -80.0, above = log(g) + 2.0 * log((double)(b - 1) / (double)(b + 1)), lo, hi;
    int i;
    for (i = 0; i < 100; i++) {
        double mid = 0.5 * (below + above), d = exp(mid);
        nrxi_opt_minimax_stationary(b, d, g, &lo, &hi);
        if (hi >= 1.0 || nrxi_opt_minimax_log(lo, log(lo), b, d, g) > nrxi_opt_minimax_log(1.0, 0.0, b, d, g))
            below = mid;
        else above = mid;
    }
    return exp(0.5 * (below + above));
}

NRX_DEF nrx_status nrx_opt_freon_coefficients(
    int b, double sigma_min, size_t terms, double *coefficients, double *reached)
{
    double l; /* lower end in z */
    size_t t;
    int i;
    if (b < 2 || b > 64 || !(sigma_min > 0.0 && sigma_min < 1.0) || !coefficients)
        return nrxi_fail(NULL, NRX_E_ARG,
            "nrx_opt_freon_coefficients: b %d, sigma_min %g; expected 2 .. 64 and 0 < sigma_min < 1", b,
            sigma_min);
    l = pow(sigma_min, 2.0 / (double)b);
    for (t = 0; t < terms; t++, coefficients += 3) {
        double base = log((double)(b + 1) / (double)(b - 1)), more = -2.2 * (double)b * log(l) + 5.0,
               below = base, above = base + (more > 2.0 ? more : 2.0);
        double d, g, alpha, lu = (double)b * log(l), u = exp(lu), lo, hi;
        if (1.0 - l < 1e-15) { /* the limit: Pade */
            coefficients[0] = coefficients[2] = (double)(b + 1) / (double)(b - 1);
            coefficients[1] = 1.0;
            continue;
        }
        for (i = 0; i < 100; i++) {
            double mid = 0.5 * (below + above);
            g = exp(mid);
            d = nrxi_opt_minimax_inner(b, g);
            nrxi_opt_minimax_stationary(b, d, g, &lo, &hi);
            if (u >= lo || nrxi_opt_minimax_log(u, lu, b, d, g) > nrxi_opt_minimax_log(hi, log(hi), b, d, g))
                above = mid;
            else below = mid;
        }
        g = exp(0.5 * (below + above));
        d = nrxi_opt_minimax_inner(b, g);
        alpha = exp(-nrxi_opt_minimax_log(1.0, 0.0, b, d, g));
        coefficients[0] = alpha;
        coefficients[1] = alpha * d;
        coefficients[2] = g;
        l = exp(nrxi_opt_minimax_log(u, lu, b, d, g) - nrxi_opt_minimax_log(1.0, 0.0, b, d, g));
        if (!(l < 1.0)) l = 1.0;
    }
    if (reached) *reached = l;
    return NRX_OK;
}

enum { NRXI_OPT_FREON_TERMS = 16 };

/* What a direction needs, made once: the rational exponent and the coefficients. */
typedef struct nrxi_opt_freon_plan {
    int a, b;              /* c = a/b, b even; b = 0: by SVD */
    int scale;
    double c;
    size_t terms;
    double delta;          /* relative shift of X X^T */
    double coef[3 * NRXI_OPT_FREON_TERMS];
} nrxi_opt_freon_plan;

NRXI_FN nrx_status nrxi_opt_freon_make(
    const char *who, int dtype, const nrx_opt_freon_desc *d, nrxi_opt_freon_plan *p)
{
    double sigma = d->sigma_min, reached;
    int b;
    memset(p, 0, sizeof *p);
    p->c = d->c;
    p->scale = d->scale;
    p->terms = d->terms                                             ? d->terms
               : dtype == NRX_F32 && !(sigma > 0.0 && sigma < 1e-3) ? 3
               : sigma > 0.0 && sigma < 1e-5                        ? 5
                                                                    : 4;
    if (sigma == 0.0) sigma = dtype == NRX_F32 ? 1e-3 : 1e-5;
    if (!(d->c >= -2.0 && d->c <= 2.0) || p->terms > NRXI_OPT_FREON_TERMS || !(sigma > 0.0 && sigma < 1.0) ||
        d->scale < 0 || d->scale > NRX_FREON_RAW)
        return nrxi_fail(&d->env, NRX_E_ARG,
            "%s: c %g, sigma_min %g, %zu terms, scale %d; expected c in -2 .. 2, sigma_min in 0 .. 1, at most 16 terms",
            who, d->c, sigma, p->terms, d->scale);
    p->delta = sigma * sigma * 1e-16;
    if (d->exact || d->c < 0.0) return NRX_OK;
    for (b = 2; b <= 16; b += 2) {
        double a = d->c * (double)b;
        if (fabs(a - floor(a + 0.5)) > 1e-9) continue;
        p->a = (int)floor(a + 0.5);
        p->b = b;
        break;
    }
    if (p->b && p->a > 0) {
        nrx_status status = nrx_opt_freon_coefficients(p->b, sigma, p->terms, p->coef, &reached);
        if (status != NRX_OK) return status;
        p->coef[3 * p->terms - 3] *= 2.0 / (1.0 + reached); /* centres the error */
        p->coef[3 * p->terms - 2] *= 2.0 / (1.0 + reached);
    }
    return NRX_OK;
}

/* Doubles of workspace of nrxi_opt_freon_run: n = the larger dimension. */
NRXI_FN size_t nrxi_opt_freon_work(size_t n, size_t k)
{
    return 2 * n * k + (n + k) * k + 2 * (2 * k * k) + 4 * k * k + k +
           nrxi_opt_max_size(nrxi_qr_work(n + k, k), nrxi_qr_work(2 * k, k)) + nrxi_opt_gemm_most(n + k, k) +
           64;
}

/* V = (I + gamma L L^T)^-1: by QR while gamma is large, by Cholesky afterwards. stack, q: 2k x k. */
NRXI_FN nrx_status nrxi_opt_freon_resolvent(size_t k, const double *l, double gamma, double *v, double *stack,
    double *q, double *tau, double *qrw, double *gw, const nrx_env *env)
{
    size_t i, j;
    nrx_status status;
    if (gamma > 100.0) { /* [L^T; I/sqrt(gamma)] = Q R, V = Q2 Q2^T */
        for (i = 0; i < k; i++)
            for (j = 0; j < k; j++) {
                stack[i * k + j] = l[j * k + i];
                stack[(k + i) * k + j] = i == j ? 1.0 / sqrt(gamma) : 0.0;
            }
        if ((status = nrxi_qr(2 * k, k, stack, k, tau, qrw)) != NRX_OK ||
            (status = nrxi_qr_q(2 * k, k, stack, k, tau, k, q, k, qrw)) != NRX_OK)
            return status;
        nrxi_gemm_symmetric_f64(0, k, k, 1.0, q + k * k, k, 0.0, v, k, gw, env);
        return NRX_OK;
    }
    nrxi_gemm_part_f64(NRXI_GEMM_LOWER, 0, 1, k, k, k, gamma, l, k, l, k, 0.0, stack, k, gw, env);
    for (i = 0; i < k; i++) stack[i * k + i] += 1.0;
    return nrxi_opt_symmetric_inverse(k, stack, q, q + k * k, v, gw, env);
}

/* Scale of conventions power mean and sum, from sum sigma^q (or for q = 0 the mean log). */
NRXI_FN double nrxi_opt_freon_scale(int scale, double q, double sum, double mean_log, size_t k)
{
    if (scale == NRX_FREON_RAW || q == 1.0) return 1.0;
    if (fabs(q) < 1e-9) return scale == NRX_FREON_POWER_MEAN ? exp(mean_log) : 1.0;
    if (scale == NRX_FREON_POWER_MEAN) sum /= (double)k;
    return sum > 0.0 ? pow(sum, (1.0 - q) / q) : 1.0;
}

/* x: G / |G|_F as k x n in f64, overwritten by the scaled direction; norm = |G|_F. Non-zero b only. */
NRXI_FN nrx_status nrxi_opt_freon_run(const nrxi_opt_freon_plan *p, size_t k, size_t n, double *x,
    double norm, double *work, const nrx_env *env)
{
    double *y = work, *tall = y + n * k, *stack = tall + (n + k) * k, *q = stack + 2 * k * k,
           *l = q + 2 * k * k, *c = l + k * k, *w = c + k * k, *v = w + k * k;
    double *tau = v + k * k, *qrw = tau + k,
           *gw = qrw + nrxi_opt_max_size(nrxi_qr_work(n + k, k), nrxi_qr_work(2 * k, k)), sum, mean_log = 0.0,
           exponent = 2.0 - 2.0 * p->c;
    size_t i, j, t;
    int e;
    nrx_status status;
    if (p->a == 0) { /* c = 0 */
        sum = p->scale == NRX_FREON_RAW ? norm : p->scale == NRX_FREON_POWER_MEAN ? sqrt((double)k) : 1.0;
        for (i = 0; i < n * k; i++) x[i] *= sum;
        return NRX_OK;
    }
    /* L L^T = X X^T + delta I by QR of [X^T; sqrt(delta) I]: X X^T itself is never formed */
    for (i = 0; i < n; i++)
        for (j = 0; j < k; j++) tall[i * k + j] = x[j * n + i];
    memset(tall + n * k, 0, k * k * sizeof *tall);
    for (j = 0; j < k; j++) tall[(n + j) * k + j] = sqrt(p->delta);
    if ((status = nrxi_qr(n + k, k, tall, k, tau, qrw)) != NRX_OK) return status;
    for (i = 0; i < k; i++)
        for (j = 0; j < k; j++) {
            l[i * k + j] = j <= i ? tall[j * k + i] : 0.0;
            c[i * k + j] = i == j;
            if (i == j) mean_log += log(fabs(l[i * k + j])) / (double)k;
        }
    /* W = (alpha I + beta A)(I + gamma A)^-1, A = L L^T; L <- W^(b/2) L, C <- W C */
    for (t = 0; t < p->terms; t++) {
        const double *co = p->coef + 3 * t;
        double ratio = co[1] / co[2];
        if ((status = nrxi_opt_freon_resolvent(k, l, co[2], w, stack, q, tau, qrw, gw, env)) != NRX_OK)
            return status;
        for (i = 0; i < k * k; i++) w[i] *= co[0] - ratio;
        for (i = 0; i < k; i++) w[i * k + i] += ratio;
        for (i = 0; i < k; i++)
            for (j = 0; j < i; j++) w[i * k + j] = w[j * k + i] = 0.5 * (w[i * k + j] + w[j * k + i]);
        if (t + 1 < p->terms)
            for (e = 0; e < p->b / 2; e++) {
                nrxi_gemm_f64(0, 0, k, k, k, 1.0, w, k, l, k, 0.0, v, k, gw, env);
                memcpy(l, v, k * k * sizeof *l);
            }
        nrxi_gemm_f64(0, 0, k, k, k, 1.0, w, k, c, k, 0.0, v, k, gw, env);
        memcpy(c, v, k * k * sizeof *c);
    }
    memcpy(y, x, n * k * sizeof *x); /* D = C^a X */
    for (e = 0; e < p->a; e++) {
        double *from = e % 2 == 0 ? x : tall, *to = e % 2 == 0 ? tall : x;
        nrxi_gemm_f64(0, 0, k, n, k, 1.0, c, k, from, n, 0.0, to, n, gw, env);
    }
    if (p->a % 2) memcpy(x, tall, n * k * sizeof *x);
    sum = nrxi_vec_dot(n * k, NRX_F64, x, y);
    if (p->scale == NRX_FREON_RAW) sum = pow(norm, 1.0 - 2.0 * p->c);
    /* of G/|G|_F: the conventions do not depend on the norm */
    else sum = nrxi_opt_freon_scale(p->scale, exponent, sum, mean_log, k);
    for (i = 0; i < n * k; i++) x[i] *= sum;
    return NRX_OK;
}

/* The same by SVD: any real c; singular values below k eps sigma_max count as zero and give nothing. */
NRXI_FN nrx_status nrxi_opt_freon_exact(const char *who, const nrxi_opt_freon_plan *p, int dtype, size_t rows,
    size_t cols, const void *g, void *d, const nrx_env *env)
{
    double *base, *s, *u, *vt, q = 2.0 - 2.0 * p->c, sum = 0.0, mean_log = 0.0, scale, top;
    size_t k = nrxi_opt_min_size(rows, cols), i, r = 0;
    nrx_status status = nrxi_opt_thin_svd(who, dtype, rows, cols, g, &base, &s, &u, &vt, env);
    if (status != NRX_OK) return status;
    top = s[0];
    while (r < k && s[r] > top * (double)k * (dtype == NRX_F32 ? 1.2e-7 : 2.3e-16)) r++;
    for (i = 0; i < r; i++) {
        sum += pow(s[i] / top, q);
        mean_log += log(s[i] / top) / (double)r;
    }
    scale = p->scale == NRX_FREON_RAW ? pow(top, 1.0 - 2.0 * p->c)
                                      : nrxi_opt_freon_scale(p->scale, q, sum, mean_log, r);
    for (i = 0; i < k; i++) s[i] = i < r ? scale * pow(s[i] / top, q - 1.0) : 0.0;
    nrxi_opt_svd_rebuild(dtype, rows, cols, s, u, vt, base, d, env);
    nrxi_free(env, base);
    return NRX_OK;
}

/* d = scaled Freon direction of g, norm = |g|_F > 0; work: nrxi_opt_freon_bytes. d may be g. */
NRXI_FN size_t nrxi_opt_freon_bytes(size_t rows, size_t cols)
{
    size_t n = nrxi_opt_max_size(rows, cols), k = nrxi_opt_min_size(rows, cols);
    return (n * k + nrxi_opt_max_size(nrxi_opt_freon_work(n, k), nrxi_opt_qdwh_work(n, k))) * sizeof(double);
}
NRXI_FN nrx_status nrxi_opt_freon(const char *who, const nrxi_opt_freon_plan *p, int dtype, size_t rows,
    size_t cols, const void *g, double norm, void *d, double *work, const nrx_env *env)
{
    size_t n = nrxi_opt_max_size(rows, cols), k = nrxi_opt_min_size(rows, cols);
    int half = p->b == 2 && p->a == 1, tall = rows > cols;
    nrx_status status;
    if (p->b == 0) return nrxi_opt_freon_exact(who, p, dtype, rows, cols, g, d, env);
    if (half) { /* the polar factor: QDWH on the tall form */
        nrx_opt_polar_desc pd = NRX_ZERO;
        nrx_opt_polar_info info;
        memset(&info, 0, sizeof info);
        pd.max_iter = 12;
        pd.no_polish = 1;
        nrxi_opt_to_f64(dtype, rows, cols, g, !tall, 1.0, work);
        nrxi_opt_divide(n * k, work, norm);
        status = nrxi_opt_qdwh(n, k, work, &pd, &info, work + n * k, env);
        if (status == NRX_OK) nrxi_opt_from_f64(dtype, rows, cols, work, !tall, 1.0, d);
    } else {
        nrxi_opt_to_f64(dtype, rows, cols, g, tall, 1.0, work);
        nrxi_opt_divide(n * k, work, norm);
        status = nrxi_opt_freon_run(p, k, n, work, norm, work + n * k, env);
        if (status == NRX_OK) nrxi_opt_from_f64(dtype, rows, cols, work, tall, 1.0, d);
    }
    return status == NRX_OK ? status
                            : nrxi_fail(env, status, "%s: a factorization broke down for a matrix of %zux%zu",
                                  who, rows, cols);
}

NRX_DEF nrx_status nrx_opt_freon(
    int dtype, size_t rows, size_t cols, const void *g, void *d, const nrx_opt_freon_desc *desc)
{
    nrx_opt_freon_desc o = NRX_ZERO;
    nrxi_opt_freon_plan plan;
    double *work, norm;
    nrx_status status;
    if (desc) o = *desc;
    status = nrxi_opt_matrix_check("nrx_opt_freon", dtype, rows, cols, g, d, &o.env);
    if (status != NRX_OK || (status = nrxi_opt_freon_make("nrx_opt_freon", dtype, &o, &plan)) != NRX_OK ||
        rows * cols == 0)
        return status;
    norm = nrxi_opt_frobenius(dtype, rows * cols, g);
    if (!(norm > 0.0)) { memset(d, 0, rows * cols * nrxi_dtype_size(dtype)); return NRX_OK; }
    work = (double *)nrxi_alloc(&o.env, plan.b ? nrxi_opt_freon_bytes(rows, cols) : 1, 1);
    if (!work)
        return nrxi_fail(&o.env, NRX_E_NOMEM, "nrx_opt_freon: no memory for a matrix of %zux%zu", rows, cols);
    status = nrxi_opt_freon("nrx_opt_freon", &plan, dtype, rows, cols, g, norm, d, work, &o.env);
    nrxi_free(&o.env, work);
    return status;
}

/* ==== training optimizers ==== */

NRX_DEF double nrx_opt_schedule_factor(const nrx_opt_schedule *s, size_t step)
{
    double t = (double)step, total = (double)s->total, warm = (double)s->warmup, x, decay;
    if (s->kind == NRX_SCHEDULE_ONE_CYCLE) {
        if (warm <= 0.0) warm = 0.3 * total;
        if (t <= warm) return 0.04 + 0.96 * 0.5 * (1.0 - cos(NRX_PI * t / warm));
        x = total > warm ? (t - warm) / (total - warm) : 1.0;
        return s->floor + (1.0 - s->floor) * 0.5 * (1.0 + cos(NRX_PI * (x < 1.0 ? x : 1.0)));
    }
    if (t < warm) return t / warm;
    x = total > warm ? (t - warm) / (total - warm) : 1.0;
    if (x > 1.0) x = 1.0;
    switch (s->kind) {
    case NRX_SCHEDULE_COSINE: return s->floor + (1.0 - s->floor) * 0.5 * (1.0 + cos(NRX_PI * x));
    case NRX_SCHEDULE_LINEAR: return s->floor + (1.0 - s->floor) * (1.0 - x);
    case NRX_SCHEDULE_WSD:
    case NRX_SCHEDULE_WSD_SQRT:
        decay = s->decay ? (double)s->decay : 0.2 * total;
        x = decay > 0.0 ? (t - (total - decay)) / decay : 1.0;
        x = x < 0.0 ? 0.0 : x > 1.0 ? 1.0 : x;
        return s->floor + (1.0 - s->floor) * (1.0 - (s->kind == NRX_SCHEDULE_WSD ? x : sqrt(x)));
    default: return 1.0;
    }
}

/* What one block needs in a step; offsets are bytes into the state, (size_t)-1 = none. */
typedef struct nrxi_opt_block {
    int    kind, frozen, own_lr;
    double lr, decay;
    size_t n, m, v, extra, sum, average, soap;
} nrxi_opt_block;

typedef struct nrxi_opt_plan {
    nrxi_opt_freon_plan freon;
    double ns[3 * NRXI_OPT_NS_MAX], ns_factor;
    size_t direction;      /* bytes of work before the matrix workspace */
    nrxi_opt_block block[1];
} nrxi_opt_plan;

NRXI_FN int nrxi_opt_matrix_kind(int kind) { return kind >= NRX_OPT_MUON; }

NRXI_FN double nrxi_opt_cosh(double x) { return cosh(x); } /* f64 in f32 twins */

/* The elementwise kinds beyond Adam and SGD: what is added per entry, in one loop each. */
typedef struct nrxi_opt_loop {
    int kind, amsgrad;
    double lr, keep, b1, b2, eps, mom, gscale, bc1, bc2, l2;
} nrxi_opt_loop;

/* >>> twin f64 */
NRXI_FN void nrxi_opt_elementwise_f64(
    size_t n, double *w, const double *g, double *m, double *v, double *e, const nrxi_opt_loop *c)
{
    const double lr = (double)c->lr, keep = (double)c->keep, b1 = (double)c->b1, b2 = (double)c->b2,
                 eps = (double)c->eps, mom = (double)c->mom;
    const double gs = (double)c->gscale, c1 = (double)(1.0 - c->b1), c2 = (double)(1.0 - c->b2),
                 l2 = (double)c->l2;
    const double r1 = (double)(1.0 / c->bc1), r2 = (double)(1.0 / nrxi_adam_root(c->bc2));
    size_t i;
    for (i = 0; i < n; i++) {
        double x = gs * g[i] + l2 * w[i], u;
        switch (c->kind) {
        case NRX_OPT_RMSPROP:
            v[i] = b2 * v[i] + c2 * (x * x);
            u = x / (sqrt(v[i]) + eps);
            if (m) m[i] = u = mom * m[i] + u;
            break;
        case NRX_OPT_ADAGRAD:
            v[i] += x * x;
            u = x / (sqrt(v[i]) + eps);
            break;
        case NRX_OPT_ADABELIEF:
            m[i] = b1 * m[i] + c1 * x;
            v[i] = b2 * v[i] + c2 * ((x - m[i]) * (x - m[i])) + eps;
            u = m[i] * r1 / (sqrt(v[i]) * r2 + eps);
            break;
        case NRX_OPT_LION:
            u = b1 * m[i] + c1 * x;
            u = (double)((u > 0) - (u < 0));
            m[i] = b2 * m[i] + c2 * x;
            break;
        default: /* Adam and AdamW with AMSGrad, Adam with the L2 term */
            m[i] = b1 * m[i] + c1 * x;
            v[i] = b2 * v[i] + c2 * (x * x);
            if (c->amsgrad && v[i] > e[i]) e[i] = v[i];
            u = m[i] * r1 / (sqrt(c->amsgrad ? e[i] : v[i]) * r2 + eps);
            break;
        }
        w[i] = keep * w[i] - lr * u;
    }
}
/* m = mu m + gs g; u = nesterov ? gs g + mu m : m */
NRXI_FN void nrxi_opt_momentum_f64(
    size_t n, double *m, const double *g, double *u, double mu, double gs, int nesterov)
{
    size_t i;
    for (i = 0; i < n; i++) {
        double x = gs * g[i];
        m[i] = mu * m[i] + x;
        u[i] = nesterov ? x + mu * m[i] : m[i];
    }
}
/* sum += clamp(g) * part */
NRXI_FN void nrxi_opt_collect_f64(size_t n, double *sum, const double *g, double part, double clip)
{
    size_t i;
    for (i = 0; i < n; i++) {
        double x = g[i];
        if (clip > 0) x = x > clip ? clip : x < -clip ? -clip : x;
        sum[i] += part * x;
    }
}
NRXI_FN void nrxi_opt_swap_f64(size_t n, double *a, double *b)
{
    size_t i;
    for (i = 0; i < n; i++) { double t = a[i]; a[i] = b[i]; b[i] = t; }
}
/* AuON: u = G / (sqrt(mean cosh(G)^2) + 1e-8) of the normalised G in place */
NRXI_FN void nrxi_opt_auon_f64(size_t n, double *u, nrxi_sum norm)
{
    nrxi_sum s = 0.0, x;
    size_t i;
    for (i = 0; i < n; i++) {
        u[i] = (double)((nrxi_sum)u[i] / norm);
        x = nrxi_opt_cosh((nrxi_sum)u[i]);
        s += x * x;
    }
    s = nrxi_adam_root(s / (nrxi_sum)n) + 1e-8;
    for (i = 0; i < n; i++) u[i] = (double)((nrxi_sum)u[i] / s);
}
/* === twin f32 */
NRXI_FN void nrxi_opt_elementwise_f32(
    size_t n, float *w, const float *g, float *m, float *v, float *e, const nrxi_opt_loop *c)
{
    const float lr = (float)c->lr, keep = (float)c->keep, b1 = (float)c->b1, b2 = (float)c->b2,
                 eps = (float)c->eps, mom = (float)c->mom;
    const float gs = (float)c->gscale, c1 = (float)(1.0 - c->b1), c2 = (float)(1.0 - c->b2),
                 l2 = (float)c->l2;
    const float r1 = (float)(1.0 / c->bc1), r2 = (float)(1.0 / nrxi_adam_root(c->bc2));
    size_t i;
    for (i = 0; i < n; i++) {
        float x = gs * g[i] + l2 * w[i], u;
        switch (c->kind) {
        case NRX_OPT_RMSPROP:
            v[i] = b2 * v[i] + c2 * (x * x);
            u = x / (sqrtf(v[i]) + eps);
            if (m) m[i] = u = mom * m[i] + u;
            break;
        case NRX_OPT_ADAGRAD:
            v[i] += x * x;
            u = x / (sqrtf(v[i]) + eps);
            break;
        case NRX_OPT_ADABELIEF:
            m[i] = b1 * m[i] + c1 * x;
            v[i] = b2 * v[i] + c2 * ((x - m[i]) * (x - m[i])) + eps;
            u = m[i] * r1 / (sqrtf(v[i]) * r2 + eps);
            break;
        case NRX_OPT_LION:
            u = b1 * m[i] + c1 * x;
            u = (float)((u > 0) - (u < 0));
            m[i] = b2 * m[i] + c2 * x;
            break;
        default: /* Adam and AdamW with AMSGrad, Adam with the L2 term */
            m[i] = b1 * m[i] + c1 * x;
            v[i] = b2 * v[i] + c2 * (x * x);
            if (c->amsgrad && v[i] > e[i]) e[i] = v[i];
            u = m[i] * r1 / (sqrtf(c->amsgrad ? e[i] : v[i]) * r2 + eps);
            break;
        }
        w[i] = keep * w[i] - lr * u;
    }
}
/* m = mu m + gs g; u = nesterov ? gs g + mu m : m */
NRXI_FN void nrxi_opt_momentum_f32(
    size_t n, float *m, const float *g, float *u, float mu, float gs, int nesterov)
{
    size_t i;
    for (i = 0; i < n; i++) {
        float x = gs * g[i];
        m[i] = mu * m[i] + x;
        u[i] = nesterov ? x + mu * m[i] : m[i];
    }
}
/* sum += clamp(g) * part */
NRXI_FN void nrxi_opt_collect_f32(size_t n, float *sum, const float *g, float part, float clip)
{
    size_t i;
    for (i = 0; i < n; i++) {
        float x = g[i];
        if (clip > 0) x = x > clip ? clip : x < -clip ? -clip : x;
        sum[i] += part * x;
    }
}
NRXI_FN void nrxi_opt_swap_f32(size_t n, float *a, float *b)
{
    size_t i;
    for (i = 0; i < n; i++) { float t = a[i]; a[i] = b[i]; b[i] = t; }
}
/* AuON: u = G / (sqrtf(mean cosh(G)^2) + 1e-8) of the normalised G in place */
NRXI_FN void nrxi_opt_auon_f32(size_t n, float *u, nrxi_sum norm)
{
    nrxi_sum s = 0.0, x;
    size_t i;
    for (i = 0; i < n; i++) {
        u[i] = (float)((nrxi_sum)u[i] / norm);
        x = nrxi_opt_cosh((nrxi_sum)u[i]);
        s += x * x;
    }
    s = nrxi_adam_root(s / (nrxi_sum)n) + 1e-8;
    for (i = 0; i < n; i++) u[i] = (float)((nrxi_sum)u[i] / s);
}
/* <<< twin */

NRXI_FN void nrxi_opt_defaults(nrx_opt_desc *d)
{
    int k;
    if (d->kind == NRX_OPT_DEFAULT) d->kind = NRX_OPT_ADAMW;
    k = d->kind;
    if (d->lr == 0.0)
        d->lr = k == NRX_OPT_SGD || k == NRX_OPT_RMSPROP || k == NRX_OPT_ADAGRAD ? 1e-2
                : k == NRX_OPT_LION                                              ? 1e-4
                : k == NRX_OPT_SOAP                                              ? 3e-3
                : k == NRX_OPT_KAON                                              ? 3e-2
                : k >= NRX_OPT_MUON                                              ? 2e-2
                                                                                 : 1e-3;
    if (d->beta1 == 0.0) d->beta1 = k == NRX_OPT_SOAP ? 0.95 : 0.9;
    if (d->beta2 == 0.0)
        d->beta2 = k == NRX_OPT_SOAP ? 0.95 : k == NRX_OPT_LION || k == NRX_OPT_RMSPROP ? 0.99 : 0.999;
    if (d->eps == 0.0) d->eps = 1e-8;
    if (nrxi_opt_matrix_kind(k))
        d->momentum = d->momentum == 0.0 ? 0.95 : d->momentum < 0.0 ? 0.0 : d->momentum;
    if (d->nesterov == 0) d->nesterov = nrxi_opt_matrix_kind(k) ? 1 : -1;
    if (d->accumulate == 0) d->accumulate = 1;
    if (d->steps == 0) d->steps = 5;
    d->freon_c = d->freon_c == 0.0 ? 2.0 / 3.0 : d->freon_c < 0.0 ? 0.0 : d->freon_c;
    if (d->refresh == 0) d->refresh = 10;
    if (d->aux_lr == 0.0) d->aux_lr = 3e-4;
    if (d->aux_beta1 == 0.0) d->aux_beta1 = 0.9;
    if (d->aux_beta2 == 0.0) d->aux_beta2 = 0.95;
    if (d->aux_eps == 0.0) d->aux_eps = 1e-10;
}

/* Bytes of work of a matrix block besides its direction. */
NRXI_FN size_t nrxi_opt_block_work(const nrx_opt_desc *d, int kind, const nrx_param *p)
{
    size_t r = p->rows, c = p->cols, big = nrxi_opt_max_size(r, c);
    switch (kind) {
    case NRX_OPT_MUON:
        return d->muon == NRX_MUON_QDWH ? nrxi_opt_freon_bytes(r, c) : nrxi_opt_orth_work(p->dtype, r, c);
    case NRX_OPT_KAON:
        return nrxi_opt_orth_work(p->dtype, r, c) + ((r * c * nrxi_dtype_size(p->dtype) + 63) & ~(size_t)63);
    case NRX_OPT_FREON: return nrxi_opt_freon_bytes(r, c);
    case NRX_OPT_SOAP:
        return (4 * r * c + nrxi_eigh_work(big) + big + nrxi_opt_gemm_most(r, c) +
                   nrxi_opt_gemm_most(big, big)) *
               sizeof(double);
    default: return 0;
    }
}

/* Gives `bytes` (on 64) of the state at *at. */
NRXI_FN size_t nrxi_opt_place(size_t *at, size_t bytes)
{
    size_t here = *at;
    *at += (bytes + 63) & ~(size_t)63;
    return here;
}

NRXI_FN nrx_status nrxi_opt_layout(nrx_opt *o, size_t *state, size_t *work)
{
    const nrx_opt_desc *d = &o->desc;
    nrxi_opt_plan *plan = (nrxi_opt_plan *)o->plan;
    size_t k, q, at = 0, most = 0;
    for (k = 0; k < o->count; k++) {
        const nrx_param *p = o->params + k;
        nrxi_opt_block *b = plan->block + k;
        size_t bytes = p->rows * p->cols * nrxi_dtype_size(p->dtype), dim;
        int kind = d->kind;
        b->n = p->rows * p->cols;
        b->decay = d->weight_decay;
        for (q = 0; q < d->group_count; q++) {
            const nrx_opt_group *gr = d->groups + q;
            if (k < gr->first || k - gr->first >= gr->count) continue;
            if (gr->kind) kind = gr->kind;
            b->frozen = gr->frozen;
            if (gr->lr != 0.0) { b->lr = gr->lr; b->own_lr = 1; }
            if (gr->weight_decay != 0.0) b->decay = gr->weight_decay < 0.0 ? 0.0 : gr->weight_decay;
        }
        if (kind < NRX_OPT_ADAMW || kind > NRX_OPT_SOAP)
            return nrxi_fail(
                &d->env, NRX_E_ARG, "nrx_opt_init: kind %d of parameter %zu, expected NRX_OPT_*", kind, k);
        if (nrxi_opt_matrix_kind(kind) && (p->rows < 2 || p->cols < 2)) kind = NRX_OPT_ADAMW;
        b->kind = kind;
        if (!nrxi_add_ok(p->rows, p->cols, &dim) || !nrxi_mul_ok(dim, dim, &dim) || dim > (size_t)-1 / 512 ||
            (nrxi_opt_matrix_kind(kind) && dim > (size_t)-1 / 4096) || bytes > ((size_t)-1 - at) / 16)
            return nrxi_fail(&d->env, NRX_E_RANGE, "nrx_opt_init: parameter %zu of %zux%zu overflows", k,
                p->rows, p->cols);
        b->m = b->v = b->extra = b->sum = b->average = b->soap = (size_t)-1;
        if (d->ema > 0.0) b->average = nrxi_opt_place(&at, bytes);
        if (d->accumulate > 1 || d->clip_value > 0.0) b->sum = nrxi_opt_place(&at, bytes);
        if (!b->frozen) {
            if (!((kind == NRX_OPT_SGD || kind == NRX_OPT_RMSPROP) && d->momentum == 0.0) &&
                kind != NRX_OPT_ADAGRAD)
                b->m = nrxi_opt_place(&at, bytes);
            if (kind != NRX_OPT_SGD && kind != NRX_OPT_LION &&
                (!nrxi_opt_matrix_kind(kind) || kind == NRX_OPT_SOAP))
                b->v = nrxi_opt_place(&at, bytes);
            if (d->amsgrad && (kind == NRX_OPT_ADAM || kind == NRX_OPT_ADAMW))
                b->extra = nrxi_opt_place(&at, bytes);
            if (kind == NRX_OPT_SOAP)
                b->soap = nrxi_opt_place(&at, 2 * (p->rows * p->rows + p->cols * p->cols) * sizeof(double));
            if (nrxi_opt_matrix_kind(kind)) {
                plan->direction = nrxi_opt_max_size(plan->direction, (bytes + 63) & ~(size_t)63);
                most = nrxi_opt_max_size(most, nrxi_opt_block_work(d, kind, p));
            }
        }
    }
    *state = at;
    *work = plan->direction + nrxi_opt_max_size(most, nrxi_params_work(o->params, o->count)) + 64;
    return NRX_OK;
}

NRX_DEF void nrx_opt_drop(nrx_opt *o)
{
    nrx_env env;
    if (!o) return;
    env = o->desc.env;
    nrxi_free(&env, o->state);
    nrxi_free(&env, o->plan);
    nrxi_free(&env, o->work);
    memset(o, 0, sizeof *o);
}

NRX_DEF nrx_status nrx_opt_init(nrx_opt *o, const nrx_param *params, size_t count, const nrx_opt_desc *desc)
{
    nrx_opt_freon_desc fd = NRX_ZERO;
    nrxi_opt_plan *plan;
    size_t bytes, work = 0, k, blocks;
    nrx_status status;
    if (!o) return nrxi_fail(NULL, NRX_E_ARG, "nrx_opt_init: opt is NULL");
    memset(o, 0, sizeof *o);
    if (desc) o->desc = *desc;
    nrxi_opt_defaults(&o->desc);
    if (!(o->desc.lr > 0.0) || !(o->desc.beta1 >= 0.0 && o->desc.beta1 < 1.0) ||
        !(o->desc.beta2 >= 0.0 && o->desc.beta2 < 1.0) || !(o->desc.momentum < 1.0) ||
        !(o->desc.weight_decay >= 0.0) || !(o->desc.ema >= 0.0 && o->desc.ema < 1.0))
        return nrxi_fail(&o->desc.env, NRX_E_ARG,
            "nrx_opt_init: lr %g, betas %g %g, momentum %g, decay %g, ema %g: expected lr > 0, decay >= 0, the others below 1",
            o->desc.lr, o->desc.beta1, o->desc.beta2, o->desc.momentum, o->desc.weight_decay, o->desc.ema);
    if (o->desc.kind < NRX_OPT_ADAMW || o->desc.kind > NRX_OPT_SOAP || o->desc.steps > NRXI_OPT_NS_MAX ||
        o->desc.scale < 0 || o->desc.scale > NRX_SCALE_NONE || o->desc.muon < 0 ||
        o->desc.muon > NRX_MUON_QDWH || (o->desc.group_count && !o->desc.groups))
        return nrxi_fail(&o->desc.env, NRX_E_ARG,
            "nrx_opt_init: kind %d, %zu steps, scale %d, muon %d, %zu groups at %s", o->desc.kind,
            o->desc.steps, o->desc.scale, o->desc.muon, o->desc.group_count,
            o->desc.groups ? "an address" : "NULL");
    status = nrxi_params_check("nrx_opt_init", params, count, &bytes, &o->desc.env);
    if (status != NRX_OK) return status;
    o->params = params;
    o->count = count;
    if (!nrxi_mul_ok(count, sizeof(nrxi_opt_block), &blocks) ||
        !nrxi_add_ok(blocks, sizeof(nrxi_opt_plan), &blocks) ||
        !(o->plan = nrxi_calloc(&o->desc.env, blocks, 1)))
        return nrxi_fail(&o->desc.env, NRX_E_NOMEM, "nrx_opt_init: no memory for %zu parameters", count);
    plan = (nrxi_opt_plan *)o->plan;
    fd.c = o->desc.freon_c;
    fd.sigma_min = o->desc.freon_sigma_min;
    fd.terms = o->desc.freon_terms;
    fd.env = o->desc.env;
    plan->ns_factor = nrxi_opt_ns_table(
        o->desc.muon == NRX_MUON_POLAR_EXPRESS ? NRX_NS_POLAR_EXPRESS : NRX_NS_MUON, o->desc.steps, plan->ns);
    status = nrxi_opt_freon_make("nrx_opt_init", count ? params[0].dtype : NRX_F64, &fd, &plan->freon);
    if (status == NRX_OK) status = nrxi_opt_layout(o, &o->state_bytes, &work);
    if (status == NRX_OK && (!(o->state = nrxi_calloc(&o->desc.env, o->state_bytes, 1)) ||
                                !(o->work = nrxi_alloc(&o->desc.env, work, 1))))
        status = nrxi_fail(&o->desc.env, NRX_E_NOMEM,
            "nrx_opt_init: no memory for %zu bytes of state and %zu of workspace", o->state_bytes, work);
    if (status != NRX_OK) { nrx_opt_drop(o); return status; }
    if (o->desc.ema > 0.0)
        for (k = 0; k < count; k++)
            nrxi_vec_copy(plan->block[k].n, params[k].dtype, params[k].value,
                (unsigned char *)o->state + plan->block[k].average);
    return NRX_OK;
}

/* A chunk of an elementwise update. */
typedef struct nrxi_opt_job {
    nrxi_opt_loop c;
    int dtype;
    size_t n;
    unsigned char *w, *m, *v, *e;
    const unsigned char *g;
} nrxi_opt_job;
NRXI_FN void nrxi_opt_chunk(void *arg, size_t chunk)
{
    const nrxi_opt_job *j = (const nrxi_opt_job *)arg;
    size_t full = NRXI_ADAM_CHUNK, at = chunk * full, n = j->n - at < full ? j->n - at : full,
           s = at * nrxi_dtype_size(j->dtype);
    void *w = j->w + s, *m = j->m ? j->m + s : NULL, *v = j->v ? j->v + s : NULL, *e = j->e ? j->e + s : NULL;
    const void *g = j->g + s;
    if (j->dtype == NRX_F32)
        nrxi_opt_elementwise_f32(n, (float *)w, (const float *)g, (float *)m, (float *)v, (float *)e, &j->c);
    else
        nrxi_opt_elementwise_f64(
            n, (double *)w, (const double *)g, (double *)m, (double *)v, (double *)e, &j->c);
}

/* Adam, AdamW and SGD by the kernels of the adam block, the other elementwise kinds by the loop above. */
NRXI_FN void nrxi_opt_elementwise(
    nrx_opt *o, const nrx_param *p, const nrxi_opt_block *b, const void *g, double gscale, double lr, int aux)
{
    const nrx_opt_desc *d = &o->desc;
    unsigned char *s = (unsigned char *)o->state, *m = b->m == (size_t)-1 ? NULL : s + b->m,
                  *v = b->v == (size_t)-1 ? NULL : s + b->v;
    double b1 = aux ? d->aux_beta1 : d->beta1, b2 = aux ? d->aux_beta2 : d->beta2,
           eps = aux ? d->aux_eps : d->eps, t = (double)o->steps;
    double bc1 = 1.0 - pow(b1, t), bc2 = 1.0 - pow(b2, t), keep = 1.0 - lr * b->decay;
    size_t chunks = (b->n + NRXI_ADAM_CHUNK - 1) / NRXI_ADAM_CHUNK;
    if (b->kind == NRX_OPT_SGD || (b->kind == NRX_OPT_ADAMW && b->extra == (size_t)-1)) {
        nrxi_adam_job j;
        memset(&j, 0, sizeof j);
        j.kind = b->kind == NRX_OPT_SGD ? NRX_ADAM_SGD : NRX_ADAM_ADAM;
        j.dtype = p->dtype;
        j.n = b->n;
        j.w = (unsigned char *)p->value; j.g = (const unsigned char *)g; j.m = m; j.v = v;
        j.c.gscale = gscale;
        j.c.keep = keep;
        j.c.b2 = b2;
        if (b->kind == NRX_OPT_SGD) {
            int look = d->nesterov > 0 && d->momentum != 0.0;
            j.c.b1 = d->momentum; j.c.rate = lr; j.c.root = look; j.c.eps = look ? d->momentum : 1.0;
        } else { j.c.b1 = b1; j.c.rate = lr / bc1; j.c.root = 1.0 / sqrt(bc2); j.c.eps = eps; }
        nrxi_parallel(&d->env, chunks, nrxi_adam_chunk, &j);
    } else {
        nrxi_opt_job j;
        memset(&j, 0, sizeof j);
        j.c.kind = b->kind; j.c.amsgrad = b->extra != (size_t)-1;
        j.c.lr = lr;
        j.c.keep = b->kind == NRX_OPT_ADAM ? 1.0 : keep;
        j.c.l2 = b->kind == NRX_OPT_ADAM ? b->decay : 0.0;
        j.c.b1 = b1;
        j.c.b2 = b2;
        j.c.eps = eps;
        j.c.mom = d->momentum;
        j.c.gscale = gscale;
        j.c.bc1 = bc1;
        j.c.bc2 = bc2;
        j.dtype = p->dtype;
        j.n = b->n;
        j.w = (unsigned char *)p->value; j.g = (const unsigned char *)g; j.m = m; j.v = v;
        j.e = b->extra == (size_t)-1 ? NULL : s + b->extra;
        nrxi_parallel(&d->env, chunks, nrxi_opt_chunk, &j);
    }
}

/* SOAP: Adam in the eigenbases of the averaged G G^T and G^T G; u = direction. All in f64. */
NRXI_FN nrx_status nrxi_opt_soap(nrx_opt *o, const nrx_param *p, const nrxi_opt_block *b, const void *g,
    double gscale, void *u, double *work)
{
    const nrx_opt_desc *d = &o->desc;
    size_t r = p->rows, c = p->cols, n = r * c, big = nrxi_opt_max_size(r, c), i;
    double *l = (double *)(void *)((unsigned char *)o->state + b->soap), *rr = l + r * r, *ql = rr + c * c,
           *qr = ql + r * r;
    double *gd = work, *md = gd + n, *t = md + n, *t2 = t + n, *eig = t2 + n, *w = eig + big,
           *gw = w + nrxi_eigh_work(big), bc1, bc2;
    unsigned char *m = (unsigned char *)o->state + b->m, *v = (unsigned char *)o->state + b->v;
    int pass;
    nrx_status status;
    nrxi_opt_to_f64(p->dtype, r, c, g, 0, gscale, gd);
    nrxi_gemm_symmetric_f64(0, r, c, 1.0 - d->beta2, gd, c, d->beta2, l, r, gw, &d->env);
    nrxi_gemm_symmetric_f64(1, c, r, 1.0 - d->beta2, gd, c, d->beta2, rr, c, gw, &d->env);
    if ((o->steps - 1) % d->refresh == 0) {
        memcpy(ql, l, r * r * sizeof *l);
        memcpy(qr, rr, c * c * sizeof *l);
        if ((status = nrxi_eigh(r, ql, r, eig, w)) != NRX_OK ||
            (status = nrxi_eigh(c, qr, c, eig, w)) != NRX_OK)
            return status;
    }
    nrxi_vec_lin(n, p->dtype, (1.0 - d->beta1) * gscale, g, d->beta1, m, m);
    nrxi_opt_to_f64(p->dtype, r, c, m, 0, 1.0, md);
    for (pass = 0; pass < 2; pass++) { /* gradient and momentum into the basis: Ql^T X Qr */
        double *x = pass ? md : gd;
        nrxi_gemm_f64(1, 0, r, c, r, 1.0, ql, r, x, c, 0.0, t, c, gw, &d->env);
        nrxi_gemm_f64(0, 0, r, c, c, 1.0, t, c, qr, c, 0.0, x, c, gw, &d->env);
    }
    bc1 = 1.0 - pow(d->beta1, (double)o->steps);
    bc2 = 1.0 - pow(d->beta2, (double)o->steps);
    for (i = 0; i < n; i++) {
        double old = p->dtype == NRX_F32 ? (double)((float *)(void *)v)[i] : ((double *)(void *)v)[i],
               s = d->beta2 * old + (1.0 - d->beta2) * gd[i] * gd[i];
        if (p->dtype == NRX_F32) ((float *)(void *)v)[i] = (float)s;
        else ((double *)(void *)v)[i] = s;
        md[i] = md[i] / bc1 / (sqrt(s / bc2) + d->eps);
    }
    nrxi_gemm_f64(0, 0, r, c, r, 1.0, ql, r, md, c, 0.0, t, c, gw, &d->env);
    nrxi_gemm_f64(0, 1, r, c, c, 1.0, t, c, qr, c, 0.0, t2, c, gw, &d->env);
    nrxi_opt_from_f64(p->dtype, r, c, t2, 0, 1.0, u);
    return NRX_OK;
}

/* Momentum, direction, decay and step of a matrix block. */
NRXI_FN nrx_status nrxi_opt_matrix(
    nrx_opt *o, const nrx_param *p, const nrxi_opt_block *b, const void *g, double gscale, double lr)
{
    const nrx_opt_desc *d = &o->desc;
    const nrxi_opt_plan *plan = (const nrxi_opt_plan *)o->plan;
    size_t r = p->rows, c = p->cols;
    unsigned char *u = (unsigned char *)o->work, *work = u + plan->direction,
                  *m = (unsigned char *)o->state + b->m;
    double norm, scale = d->scale == NRX_SCALE_RMS ? 0.2 * sqrt((double)nrxi_opt_max_size(r, c))
                         : d->scale == NRX_SCALE_SPECTRAL && r > c ? sqrt((double)r / (double)c)
                                                                   : 1.0;
    nrx_status status = NRX_OK;
    if (b->kind == NRX_OPT_SOAP) {
        status = nrxi_opt_soap(o, p, b, g, gscale, u, (double *)(void *)work);
        scale = 1.0;
    } else {
        if (p->dtype == NRX_F32)
            nrxi_opt_momentum_f32(b->n, (float *)(void *)m, (const float *)g, (float *)(void *)u,
                (float)d->momentum, (float)gscale, d->nesterov > 0);
        else
            nrxi_opt_momentum_f64(b->n, (double *)(void *)m, (const double *)g, (double *)(void *)u,
                d->momentum, gscale, d->nesterov > 0);
        norm = nrxi_opt_frobenius(p->dtype, b->n, u);
        if (!nrxi_finite_f64(&norm))
            return nrxi_fail(&d->env, NRX_E_NUMERIC,
                "nrx_opt_step: the momentum of '%s' overflowed; the block was not changed",
                p->name ? p->name : "?");
        if (!(norm > 0.0)) memset(u, 0, b->n * nrxi_dtype_size(p->dtype));
        else if (b->kind == NRX_OPT_MUON && d->muon != NRX_MUON_QDWH)
            nrxi_opt_orth(p->dtype, r, c, u, norm * plan->ns_factor + (norm < 1e-4 ? 1e-3 * norm : 1e-7), u,
                plan->ns, d->steps, 0, work, &d->env);
        else if (b->kind == NRX_OPT_AUON) {
            if (p->dtype == NRX_F32) nrxi_opt_auon_f32(b->n, (float *)(void *)u, norm);
            else nrxi_opt_auon_f64(b->n, (double *)(void *)u, norm);
        } else if (b->kind == NRX_OPT_KAON) {
            /* the guard needs its argument to the end: the direction goes to the workspace */
            o->fallbacks += (size_t)nrxi_opt_kaon(p->dtype, r, c, u, work, d->steps, norm,
                work + ((b->n * nrxi_dtype_size(p->dtype) + 63) & ~(size_t)63), &d->env);
            u = work;
        } else {
            nrxi_opt_freon_plan half;
            const nrxi_opt_freon_plan *f = &plan->freon;
            if (b->kind == NRX_OPT_MUON) {
                memset(&half, 0, sizeof half);
                half.a = 1;
                half.b = 2;
                half.c = 0.5;
                f = &half;
            }
            status = nrxi_opt_freon(
                "nrx_opt_step", f, p->dtype, r, c, u, norm, u, (double *)(void *)work, &d->env);
        }
    }
    if (status != NRX_OK) return status;
    if (d->norm_weight) {
        norm = nrxi_opt_frobenius(p->dtype, b->n, p->value);
        if (norm > 0.0) nrxi_vec_scale(b->n, p->dtype, sqrt((double)r) / norm, p->value);
    }
    nrxi_vec_lin(b->n, p->dtype, -lr * scale, u, 1.0 - lr * b->decay, p->value, p->value);
    return NRX_OK;
}

/* Adds the gradients to the sums; *ready = this completes a step. */
NRXI_FN nrx_status nrxi_opt_collect(nrx_opt *o, int *ready)
{
    const nrx_opt_desc *d = &o->desc;
    nrxi_opt_plan *plan = (nrxi_opt_plan *)o->plan;
    double norm, part = 1.0 / (double)d->accumulate;
    size_t k;
    nrx_status status;
    *ready = 1;
    if (d->accumulate <= 1 && !(d->clip_value > 0.0)) return NRX_OK;
    status = nrxi_grad_norm("nrx_opt_step", o->params, o->count, &norm, &d->env);
    if (status != NRX_OK) return status;
    for (k = 0; k < o->count; k++) {
        unsigned char *sum = (unsigned char *)o->state + plan->block[k].sum;
        if (o->params[k].dtype == NRX_F32)
            nrxi_opt_collect_f32(plan->block[k].n, (float *)(void *)sum, (const float *)o->params[k].grad,
                (float)part, (float)d->clip_value);
        else
            nrxi_opt_collect_f64(plan->block[k].n, (double *)(void *)sum, (const double *)o->params[k].grad,
                part, d->clip_value);
    }
    *ready = ++o->pending >= d->accumulate;
    return NRX_OK;
}

/* Norm of the gradients that the step will use. */
NRXI_FN nrx_status nrxi_opt_norm(nrx_opt *o)
{
    nrxi_opt_plan *plan = (nrxi_opt_plan *)o->plan;
    double s = 0.0;
    size_t k;
    if (o->pending == 0)
        return nrxi_grad_norm("nrx_opt_step", o->params, o->count, &o->grad_norm, &o->desc.env);
    for (k = 0; k < o->count; k++)
        s += nrxi_adam_norm2(
            o->params[k].dtype, plan->block[k].n, (unsigned char *)o->state + plan->block[k].sum);
    o->grad_norm = sqrt(s);
    return NRX_OK;
}

NRX_DEF nrx_status nrx_opt_step(nrx_opt *o)
{
    nrxi_opt_plan *plan;
    double factor, gscale = 1.0, beta;
    size_t k;
    int ready, pending;
    nrx_status status, first = NRX_OK;
    if (!o || !o->plan)
        return nrxi_fail(NULL, NRX_E_STATE, "nrx_opt_step: the optimizer was not initialised");
    plan = (nrxi_opt_plan *)o->plan;
    status = nrxi_opt_collect(o, &ready);
    if (status == NRX_OK && !ready) return NRX_OK;
    if (status == NRX_OK) status = nrxi_opt_norm(o);
    if (status != NRX_OK) { o->skipped++; return status; }
    pending = o->pending > 0;
    o->pending = 0;
    o->steps++;
    factor = nrx_opt_schedule_factor(&o->desc.schedule, o->steps);
    o->lr = o->desc.lr * factor;
    if (o->desc.clip_norm > 0.0 && o->grad_norm > o->desc.clip_norm)
        gscale = o->desc.clip_norm / (o->grad_norm + 1e-6);
    beta = (1.0 + (double)o->steps) / (10.0 + (double)o->steps);
    if (o->desc.ema < beta) beta = o->desc.ema;
    for (k = 0; k < o->count; k++) {
        const nrx_param *p = o->params + k;
        nrxi_opt_block *b = plan->block + k;
        unsigned char *sum = pending ? (unsigned char *)o->state + b->sum : NULL;
        const void *g = pending ? (const void *)sum : p->grad;
        int aux = b->kind == NRX_OPT_ADAMW && nrxi_opt_matrix_kind(o->desc.kind);
        double lr = (b->own_lr ? b->lr : aux ? o->desc.aux_lr : o->desc.lr) * factor;
        if (b->n > 0 && !b->frozen) {
            if (nrxi_opt_matrix_kind(b->kind)) status = nrxi_opt_matrix(o, p, b, g, gscale, lr);
            else nrxi_opt_elementwise(o, p, b, g, gscale, lr, aux);
            if (status != NRX_OK && first == NRX_OK) first = status;
            status = NRX_OK;
            if (p->constraint)
                nrxi_param_project(p, (double *)(void *)((unsigned char *)o->work + plan->direction));
            if (o->desc.ema > 0.0)
                nrxi_vec_lin(b->n, p->dtype, 1.0 - beta, p->value, beta,
                    (unsigned char *)o->state + b->average, (unsigned char *)o->state + b->average);
        }
        if (sum) memset(sum, 0, b->n * nrxi_dtype_size(p->dtype));
    }
    return first;
}

NRX_DEF nrx_status nrx_opt_swap_average(nrx_opt *o)
{
    nrxi_opt_plan *plan;
    size_t k;
    if (!o || !o->plan || !(o->desc.ema > 0.0))
        return nrxi_fail(
            o ? &o->desc.env : NULL, NRX_E_STATE, "nrx_opt_swap_average: no average is kept (desc.ema)");
    plan = (nrxi_opt_plan *)o->plan;
    for (k = 0; k < o->count; k++) {
        unsigned char *a = (unsigned char *)o->state + plan->block[k].average;
        if (o->params[k].dtype == NRX_F32)
            nrxi_opt_swap_f32(plan->block[k].n, (float *)o->params[k].value, (float *)(void *)a);
        else nrxi_opt_swap_f64(plan->block[k].n, (double *)o->params[k].value, (double *)(void *)a);
    }
    return NRX_OK;
}

/* "nrxO1", kind, blocks, bytes of state, steps, pending, skipped, fallbacks (u64 each), then the state. */
enum { NRXI_OPT_HEAD = 64 };
NRX_DEF size_t nrx_opt_state_size(const nrx_opt *o) { return NRXI_OPT_HEAD + o->state_bytes; }

NRX_DEF nrx_status nrx_opt_save(const nrx_opt *o, void *bytes, size_t size)
{
    uint64_t head[8];
    if (!o || !o->plan || !bytes || size < nrx_opt_state_size(o))
        return nrxi_fail(o ? &o->desc.env : NULL, NRX_E_ARG, "nrx_opt_save: %zu bytes of room, expected %zu",
            size, o && o->plan ? nrx_opt_state_size(o) : (size_t)0);
    head[0] = 0x314f78726eu;
    head[1] = (uint64_t)o->desc.kind;
    head[2] = (uint64_t)o->count;
    head[3] = (uint64_t)o->state_bytes;
    head[4] = (uint64_t)o->steps;
    head[5] = (uint64_t)o->pending;
    head[6] = (uint64_t)o->skipped;
    head[7] = (uint64_t)o->fallbacks;
    memcpy(bytes, head, sizeof head);
    memcpy((unsigned char *)bytes + NRXI_OPT_HEAD, o->state, o->state_bytes);
    return NRX_OK;
}

NRX_DEF nrx_status nrx_opt_restore(nrx_opt *o, const void *bytes, size_t size)
{
    uint64_t head[8];
    if (!o || !o->plan || !bytes)
        return nrxi_fail(o ? &o->desc.env : NULL, NRX_E_ARG, "nrx_opt_restore: no optimizer or no bytes");
    if (size < NRXI_OPT_HEAD)
        return nrxi_fail(&o->desc.env, NRX_E_FORMAT, "nrx_opt_restore: %zu bytes, expected %zu", size,
            nrx_opt_state_size(o));
    memcpy(head, bytes, sizeof head);
    if (head[0] != 0x314f78726eu || head[1] != (uint64_t)o->desc.kind || head[2] != (uint64_t)o->count ||
        head[3] != (uint64_t)o->state_bytes || size - NRXI_OPT_HEAD != o->state_bytes ||
        head[5] >= (uint64_t)o->desc.accumulate)
        return nrxi_fail(&o->desc.env, NRX_E_FORMAT,
            "nrx_opt_restore: these %zu bytes were not saved by an optimizer of this kind and these parameters",
            size);
    o->steps = (size_t)head[4];
    o->pending = (size_t)head[5];
    o->skipped = (size_t)head[6];
    o->fallbacks = (size_t)head[7];
    memcpy(o->state, (const unsigned char *)bytes + NRXI_OPT_HEAD, o->state_bytes);
    return NRX_OK;
}

NRX_DEF nrx_status nrx_opt_diagnose(
    int dtype, size_t n, const void *g, const void *gt, const void *d, const void *hd, nrx_opt_diagnosis *out)
{
    double gd, gtd, dhd;
    if ((dtype != NRX_F32 && dtype != NRX_F64) || !g || !gt || !d || !hd || !out)
        return nrxi_fail(NULL, NRX_E_ARG, "nrx_opt_diagnose: dtype %d or a NULL array", dtype);
    memset(out, 0, sizeof *out);
    gd = nrxi_vec_dot(n, dtype, g, d);
    gtd = nrxi_vec_dot(n, dtype, gt, d);
    dhd = nrxi_vec_dot(n, dtype, d, hd);
    if (gtd == 0.0 || dhd == 0.0 || !nrxi_finite_f64(&gd) || !nrxi_finite_f64(&gtd) || !nrxi_finite_f64(&dhd))
        return nrxi_fail(NULL, NRX_E_NUMERIC, "nrx_opt_diagnose: <gt,d> = %g, <d,Hd> = %g", gtd, dhd);
    out->alignment = gd / gtd;
    out->potential = gtd * gtd / dhd;
    out->step = gd / dhd;
    out->decrease = 0.5 * gd * gd / dhd;
    return NRX_OK;
}

NRX_DEF nrx_status nrx_opt_check_gradient(
    const nrx_functional *f, const void *x, size_t directions, double h, double *error, const nrx_env *env)
{
    size_t i, k, n;
    unsigned char *mem, *g, *d, *y;
    double lo, hi, slope, want, worst = 0.0, scale;
    nrx_rng r;
    nrx_status status = NRX_OK;
    if (!f || !f->eval || !x || !error || (f->dtype != NRX_F32 && f->dtype != NRX_F64))
        return nrxi_fail(
            env, NRX_E_ARG, "nrx_opt_check_gradient: a functional with eval, x and error are needed");
    n = f->n;
    if (directions == 0) directions = 3;
    if (h == 0.0) h = f->dtype == NRX_F32 ? 1e-2 : 1e-5;
    if (n > (size_t)-1 / 64 || !(mem = (unsigned char *)nrxi_alloc(env, 3 * n, 8)))
        return nrxi_fail(env, NRX_E_NOMEM, "nrx_opt_check_gradient: no memory for %zu entries", n);
    g = mem; d = g + 8 * n; y = d + 8 * n;
    status = f->eval(f->user, x, NULL, g);
    nrx_rng_seed(&r, 1, 0);
    for (k = 0; k < directions && status == NRX_OK; k++) {
        for (i = 0; i < n; i++) {
            if (f->dtype == NRX_F32) ((float *)(void *)d)[i] = (float)nrx_rng_normal(&r);
            else ((double *)(void *)d)[i] = nrx_rng_normal(&r);
        }
        scale = h / sqrt((double)(n ? n : 1));
        nrxi_vec_lin(n, f->dtype, 1.0, x, scale, d, y);
        if ((status = f->eval(f->user, y, &hi, NULL)) != NRX_OK) break;
        nrxi_vec_lin(n, f->dtype, 1.0, x, -scale, d, y);
        if ((status = f->eval(f->user, y, &lo, NULL)) != NRX_OK) break;
        slope = (hi - lo) / (2.0 * scale);
        want = nrxi_vec_dot(n, f->dtype, g, d);
        scale = fabs(want) > fabs(slope) ? fabs(want) : fabs(slope);
        if (scale > 0.0 && fabs(slope - want) / scale > worst) worst = fabs(slope - want) / scale;
        if (!nrxi_finite_f64(&slope) || !nrxi_finite_f64(&want)) worst = HUGE_VAL;
    }
    *error = worst;
    nrxi_free(env, mem);
    return status == NRX_OK ? NRX_OK
                            : nrxi_fail(env, status, "nrx_opt_check_gradient: the functional failed: %s",
                                  nrx_status_string(status));
}

/* ==== solvers ==== */

/* NULL checks that the blocks leave to their callers. */
NRXI_FN nrx_status nrxi_opt_need(const char *who, const nrx_solve_desc *desc, const void *a, const char *what)
{
    return a ? NRX_OK : nrxi_fail(desc ? &desc->env : NULL, NRX_E_ARG, "%s: %s is NULL", who, what);
}
NRXI_FN nrx_status nrxi_opt_need3(
    const char *who, const nrx_solve_desc *desc, const void *a, const void *b, const void *x)
{
    nrx_status s = nrxi_opt_need(who, desc, a, "the operator or functional");
    if (s == NRX_OK) s = nrxi_opt_need(who, desc, b, "the right-hand side");
    return s == NRX_OK ? nrxi_opt_need(who, desc, x, "x") : s;
}

NRX_DEF nrx_status nrx_opt_cg(
    const nrx_linop *A, const void *b, void *x, const nrx_solve_desc *desc, nrx_solve_info *info)
{
    nrx_status s = nrxi_opt_need3("nrx_opt_cg", desc, A, b, x);
    return s == NRX_OK ? nrxi_solve_cg("nrx_opt_cg", A, b, x, desc, info) : s;
}
NRX_DEF nrx_status nrx_opt_cgls(
    const nrx_linop *A, const void *b, void *x, const nrx_solve_desc *desc, nrx_solve_info *info)
{
    nrx_status s = nrxi_opt_need3("nrx_opt_cgls", desc, A, b, x);
    return s == NRX_OK ? nrxi_solve_cgls("nrx_opt_cgls", A, b, x, desc, info) : s;
}
NRX_DEF nrx_status nrx_opt_lsqr(
    const nrx_linop *A, const void *b, void *x, const nrx_solve_desc *desc, nrx_solve_info *info)
{
    nrx_status s = nrxi_opt_need3("nrx_opt_lsqr", desc, A, b, x);
    return s == NRX_OK ? nrxi_solve_lsqr("nrx_opt_lsqr", A, b, x, desc, info) : s;
}

NRXI_FN nrx_status nrxi_opt_smooth(const char *who, int method, const nrx_linop *A, const void *b,
    const nrx_functional *f, const nrx_functional *g, void *x, const nrx_solve_desc *desc,
    nrx_solve_info *info)
{
    nrx_solve_desc d = NRX_ZERO;
    nrx_status s = nrxi_opt_need3(who, desc,
        A   ? (const void *)A
        : f ? (const void *)f
            : (const void *)g,
        A ? b : x, x);
    if (s != NRX_OK) return s;
    if (desc) d = *desc;
    d.method = method;
    return nrxi_solve_smooth(who, A, b, f, g, x, &d, info);
}
NRX_DEF nrx_status nrx_opt_fista(const nrx_linop *A, const void *b, const nrx_functional *f,
    const nrx_functional *g, void *x, const nrx_solve_desc *desc, nrx_solve_info *info)
{
    return nrxi_opt_smooth("nrx_opt_fista", NRX_SOLVE_ACCELERATED, A, b, f, g, x, desc, info);
}
NRX_DEF nrx_status nrx_opt_gradient(const nrx_linop *A, const void *b, const nrx_functional *f,
    const nrx_functional *g, void *x, const nrx_solve_desc *desc, nrx_solve_info *info)
{
    return nrxi_opt_smooth("nrx_opt_gradient", NRX_SOLVE_GRADIENT, A, b, f, g, x, desc, info);
}
NRX_DEF nrx_status nrx_opt_nmapg(const nrx_linop *A, const void *b, const nrx_functional *f,
    const nrx_functional *g, void *x, const nrx_solve_desc *desc, nrx_solve_info *info)
{
    return nrxi_opt_smooth("nrx_opt_nmapg", NRX_SOLVE_NMAPG, A, b, f, g, x, desc, info);
}
NRX_DEF nrx_status nrx_opt_pdhg(const nrx_linop *K, const nrx_functional *g, const nrx_functional *h,
    const nrx_functional *f, void *x, void *y, const nrx_solve_desc *desc, nrx_solve_info *info)
{
    nrx_status s = nrxi_opt_need3("nrx_opt_pdhg", desc, K && h ? K : NULL, x, x);
    return s == NRX_OK ? nrxi_solve_pdhg("nrx_opt_pdhg", K, g, h, f, x, y, desc, info) : s;
}

/* The usual opening: descriptor, operator, room. */
NRXI_FN nrx_status nrxi_opt_krylov_begin(nrxi_solver *s, const char *who, const nrx_linop *A, const void *b,
    void *x, size_t vectors, const nrx_solve_desc *desc, nrx_solve_info *info)
{
    nrx_status status = nrxi_opt_need3(who, desc, A, b, x);
    if (status != NRX_OK || (status = nrxi_solver_begin(s, who, A->dtype, desc, info)) != NRX_OK ||
        (status = nrxi_solver_check_linop(s, A, 1, 0)) != NRX_OK)
        return status;
    return nrxi_solver_room(s, vectors, A->cols, 0, 0);
}
/* r = b - A x and its norm; scale = |b| (or |r| when b is zero). Non-zero: stop. */
NRXI_FN int nrxi_opt_krylov_residual(
    nrxi_solver *s, const nrx_linop *A, const void *b, const void *x, void *r, double *norm, double *scale)
{
    *scale = nrxi_vec_norm(A->cols, s->dtype, b);
    if (nrxi_solver_apply(s, A, x, r)) return 1;
    nrxi_vec_lin(A->cols, s->dtype, 1.0, b, -1.0, r, r);
    *norm = nrxi_vec_norm(A->cols, s->dtype, r);
    if (!nrxi_finite_f64(norm)) return nrxi_solver_stop(s, NRX_STOP_NUMERIC);
    if (*norm == 0.0) return nrxi_solver_stop(s, NRX_STOP_EXACT);
    if (*scale == 0.0) *scale = *norm;
    s->info->residual = *norm / *scale;
    return 0;
}

/* MINRES (Paige and Saunders 1975): Lanczos and one Givens rotation a step; works for indefinite A. */
NRX_DEF nrx_status nrx_opt_minres(
    const nrx_linop *A, const void *b, void *x, const nrx_solve_desc *desc, nrx_solve_info *info)
{
    nrxi_solver s;
    size_t n, k;
    int t;
    void *v, *vo, *p, *d, *d1, *d2;
    double beta, scale, eta, c = 1.0, c1 = 1.0, sn = 0.0, s1 = 0.0, alpha, old = 0.0;
    nrx_status status = nrxi_opt_krylov_begin(&s, "nrx_opt_minres", A, b, x, 6, desc, info);
    if (status != NRX_OK) return status;
    n = A->cols;
    t = A->dtype;
    v = nrxi_solver_vector(&s, n); vo = nrxi_solver_vector(&s, n); p = nrxi_solver_vector(&s, n);
    d = nrxi_solver_vector(&s, n); d1 = nrxi_solver_vector(&s, n); d2 = nrxi_solver_vector(&s, n);
    if (nrxi_opt_krylov_residual(&s, A, b, x, v, &beta, &scale)) return nrxi_solver_end(&s);
    nrxi_vec_scale(n, t, 1.0 / beta, v);
    eta = beta;
    for (k = 1; k <= s.d.max_iter; k++) {
        double r1, r2, r3, rho, next;
        void *swap;
        if (nrxi_solver_apply(&s, A, v, p)) break;
        alpha = nrxi_vec_dot(n, t, v, p);
        nrxi_vec_axpy(n, t, -alpha, v, p);
        nrxi_vec_axpy(n, t, -old, vo, p);
        next = nrxi_vec_norm(n, t, p);
        if (!nrxi_finite_f64(&next)) { nrxi_solver_stop(&s, NRX_STOP_NUMERIC); break; }
        r3 = s1 * old;
        r2 = sn * alpha + c1 * c * old;
        r1 = c * alpha - c1 * sn * old;
        rho = hypot(r1, next);
        if (!(rho > 0.0)) { nrxi_solver_stop(&s, NRX_STOP_STALLED); break; }
        c1 = c; s1 = sn;
        c = r1 / rho; sn = next / rho;
        /* d = (v - r2 d1 - r3 d2) / rho */
        nrxi_vec_lin(n, t, 1.0 / rho, v, -r2 / rho, d1, d);
        nrxi_vec_axpy(n, t, -r3 / rho, d2, d);
        nrxi_vec_axpy(n, t, c * eta, d, x);
        eta = -sn * eta;
        swap = d2; d2 = d1; d1 = d; d = swap;
        nrxi_vec_copy(n, t, v, vo);
        if (next > 0.0) nrxi_vec_lin(n, t, 1.0 / next, p, 0.0, p, v);
        old = next;
        s.info->residual = fabs(eta) / scale;
        if (nrxi_solver_report(&s, k, s.info->residual)) break;
        if (s.info->residual <= s.d.tol || next == 0.0) { nrxi_solver_stop(&s, NRX_STOP_TOL); break; }
    }
    return nrxi_solver_end(&s);
}

/* GMRES (Saad and Schultz 1986), restarted, modified Gram-Schmidt; the small Hessenberg system is kept
   triangular by rotations. */
NRX_DEF nrx_status nrx_opt_gmres(
    const nrx_linop *A, const void *b, void *x, const nrx_solve_desc *desc, nrx_solve_info *info)
{
    nrxi_solver s;
    size_t n, m = desc && desc->memory ? desc->memory : 30, k = 0, i, j;
    int t;
    void *basis[129], *w;
    double *h, *cs, *sn, *g, beta, scale;
    nrx_status status;
    if (m > 128)
        return nrxi_fail(desc ? &desc->env : NULL, NRX_E_ARG,
            "nrx_opt_gmres: restart after %zu steps, expected at most 128", m);
    status = nrxi_opt_krylov_begin(&s, "nrx_opt_gmres", A, b, x, m + 2, desc, info);
    if (status != NRX_OK) return status;
    n = A->cols;
    t = A->dtype;
    for (i = 0; i <= m; i++) basis[i] = nrxi_solver_vector(&s, n);
    w = nrxi_solver_vector(&s, n);
    h = (double *)nrxi_alloc(&s.d.env, (m + 1) * m + 3 * (m + 1), sizeof(double));
    if (!h) {
        nrxi_free(&s.d.env, s.memory);
        return nrxi_fail(&s.d.env, NRX_E_NOMEM, "nrx_opt_gmres: no memory");
    }
    cs = h + (m + 1) * m; sn = cs + m + 1; g = sn + m + 1;
    while (k < s.d.max_iter && !s.info->stop) {
        if (nrxi_opt_krylov_residual(&s, A, b, x, basis[0], &beta, &scale)) {
            if (k && s.info->stop == NRX_STOP_EXACT) s.info->stop = NRX_STOP_TOL;
            break;
        }
        if (s.info->residual <= s.d.tol) { nrxi_solver_stop(&s, NRX_STOP_TOL); break; }
        nrxi_vec_scale(n, t, 1.0 / beta, basis[0]);
        g[0] = beta;
        for (j = 0; j < m && k < s.d.max_iter; ) {
            double *hj = h + j * (m + 1), r;
            if (nrxi_solver_apply(&s, A, basis[j], w)) break;
            for (i = 0; i <= j; i++) {
                hj[i] = nrxi_vec_dot(n, t, basis[i], w);
                nrxi_vec_axpy(n, t, -hj[i], basis[i], w);
            }
            hj[j + 1] = nrxi_vec_norm(n, t, w);
            if (!nrxi_finite_f64(&hj[j + 1])) { nrxi_solver_stop(&s, NRX_STOP_NUMERIC); break; }
            r = hj[j + 1];
            if (r > 0.0) nrxi_vec_lin(n, t, 1.0 / r, w, 0.0, w, basis[j + 1]);
            for (i = 0; i < j; i++) {
                double q = cs[i] * hj[i] + sn[i] * hj[i + 1];
                hj[i + 1] = cs[i] * hj[i + 1] - sn[i] * hj[i];
                hj[i] = q;
            }
            hj[j] = nrxi_la_givens(hj[j], hj[j + 1], &cs[j], &sn[j]);
            g[j + 1] = -sn[j] * g[j];
            g[j] *= cs[j];
            k++;
            j++;
            s.info->residual = fabs(g[j]) / scale;
            if (nrxi_solver_report(&s, k, s.info->residual) || s.info->residual <= s.d.tol || r == 0.0) break;
        }
        for (i = j; i-- > 0;) { /* back substitution, x += basis y */
            size_t q;
            for (q = i + 1; q < j; q++) g[i] -= h[q * (m + 1) + i] * g[q];
            if (h[i * (m + 1) + i] == 0.0) { nrxi_solver_stop(&s, NRX_STOP_STALLED); g[i] = 0.0; continue; }
            g[i] /= h[i * (m + 1) + i];
        }
        if (s.info->stop != NRX_STOP_NUMERIC) for (i = 0; i < j; i++) nrxi_vec_axpy(n, t, g[i], basis[i], x);
        s.info->restarts++;
        if (!s.info->stop && s.info->residual <= s.d.tol) nrxi_solver_stop(&s, NRX_STOP_TOL);
    }
    nrxi_free(&s.d.env, h);
    return nrxi_solver_end(&s);
}

/* BiCGStab (van der Vorst 1992); restarted with the true residual on breakdown. */
NRX_DEF nrx_status nrx_opt_bicgstab(
    const nrx_linop *A, const void *b, void *x, const nrx_solve_desc *desc, nrx_solve_info *info)
{
    nrxi_solver s;
    size_t n, k;
    int t, fresh = 1;
    void *r, *r0, *p, *v, *q, *z;
    double rho = 1.0, alpha = 1.0, omega = 1.0, norm, scale, next, zz;
    nrx_status status = nrxi_opt_krylov_begin(&s, "nrx_opt_bicgstab", A, b, x, 6, desc, info);
    if (status != NRX_OK) return status;
    n = A->cols;
    t = A->dtype;
    r = nrxi_solver_vector(&s, n); r0 = nrxi_solver_vector(&s, n); p = nrxi_solver_vector(&s, n);
    v = nrxi_solver_vector(&s, n); q = nrxi_solver_vector(&s, n); z = nrxi_solver_vector(&s, n);
    if (nrxi_opt_krylov_residual(&s, A, b, x, r, &norm, &scale)) return nrxi_solver_end(&s);
    for (k = 1; k <= s.d.max_iter; k++) {
        if (fresh) {
            nrxi_vec_copy(n, t, r, r0);
            nrxi_vec_copy(n, t, r, p);
            rho = nrxi_vec_dot(n, t, r, r);
            fresh = 0;
        }
        if (nrxi_solver_apply(&s, A, p, v)) break;
        next = nrxi_vec_dot(n, t, r0, v);
        if (!nrxi_finite_f64(&next)) { nrxi_solver_stop(&s, NRX_STOP_NUMERIC); break; }
        if (next == 0.0 || rho == 0.0) { nrxi_solver_stop(&s, NRX_STOP_STALLED); break; }
        alpha = rho / next;
        nrxi_vec_lin(n, t, 1.0, r, -alpha, v, q);
        if (nrxi_solver_apply(&s, A, q, z)) break;
        zz = nrxi_vec_dot(n, t, z, z);
        omega = zz > 0.0 ? nrxi_vec_dot(n, t, z, q) / zz : 0.0;
        nrxi_vec_axpy(n, t, alpha, p, x);
        nrxi_vec_axpy(n, t, omega, q, x);
        nrxi_vec_lin(n, t, 1.0, q, -omega, z, r);
        norm = nrxi_vec_norm(n, t, r);
        if (!nrxi_finite_f64(&norm)) { nrxi_solver_stop(&s, NRX_STOP_NUMERIC); break; }
        s.info->residual = norm / scale;
        if (nrxi_solver_report(&s, k, s.info->residual)) break;
        if (s.info->residual <= s.d.tol) { nrxi_solver_stop(&s, NRX_STOP_TOL); break; }
        next = nrxi_vec_dot(n, t, r0, r);
        /* breakdown: start again from here */
        if (fabs(next) <= 1e-14 * norm * nrxi_vec_norm(n, t, r0) || omega == 0.0) {
            s.info->restarts++;
            if (nrxi_solver_apply(&s, A, x, r)) break;
            nrxi_vec_lin(n, t, 1.0, b, -1.0, r, r);
            fresh = 1;
            continue;
        }
        nrxi_vec_axpy(n, t, -omega, v, p);
        nrxi_vec_lin(n, t, 1.0, r, next / rho * alpha / omega, p, p);
        rho = next;
    }
    return nrxi_solver_end(&s);
}

/* ---- ADMM ---- */

typedef struct nrxi_opt_admm {
    const nrx_linop *A, *K;
    size_t n, m;
    double rho;
    void *ax, *kx, *t;
} nrxi_opt_admm;

/* y = (A^T A + rho K^T K) x; non-zero: stop */
NRXI_FN int nrxi_opt_admm_normal(nrxi_solver *s, nrxi_opt_admm *p, const void *x, void *y)
{
    if (p->A) {
        if (nrxi_solver_apply(s, p->A, x, p->ax) || nrxi_solver_adjoint(s, p->A, p->ax, y)) return 1;
    } else nrxi_vec_copy(p->n, s->dtype, x, y);
    if (p->K) {
        if (nrxi_solver_apply(s, p->K, x, p->kx) || nrxi_solver_adjoint(s, p->K, p->kx, p->t)) return 1;
        nrxi_vec_axpy(p->n, s->dtype, p->rho, p->t, y);
    } else nrxi_vec_axpy(p->n, s->dtype, p->rho, x, y);
    return 0;
}

NRX_DEF nrx_status nrx_opt_admm(const nrx_linop *A, const void *b, const nrx_linop *K,
    const nrx_functional *g, void *x, const nrx_solve_desc *desc, nrx_solve_info *info)
{
    nrxi_solver s;
    nrxi_opt_admm p;
    size_t n, m, k, it;
    int t;
    void *rhs, *r, *d, *q, *atb, *z, *zo, *u, *kx;
    double rp = 0.0, rd = 0.0, sp, sd, rr, old, dq, goal;
    nrx_status status = nrxi_opt_need3("nrx_opt_admm", desc, g, b, x);
    if (status != NRX_OK) return status;
    memset(&p, 0, sizeof p);
    p.A = A; p.K = K;
    p.n = n = A ? A->cols : K ? K->cols : g->n;
    p.m = m = K ? K->rows : n;
    t = g->dtype;
    if ((status = nrxi_solver_begin(&s, "nrx_opt_admm", t, desc, info)) != NRX_OK ||
        (A && (status = nrxi_solver_check_linop(&s, A, 0, 1)) != NRX_OK) ||
        (K && (status = nrxi_solver_check_linop(&s, K, 0, 1)) != NRX_OK) ||
        (status = nrxi_solver_check_functional(&s, g, m, 0, 1)) != NRX_OK)
        return status;
    if (K && K->cols != n)
        return nrxi_fail(&s.d.env, NRX_E_SHAPE, "nrx_opt_admm: K has %zu columns, expected %zu", K->cols, n);
    if ((status = nrxi_solver_room(&s, 6, n, 5, nrxi_opt_max_size(m, A ? A->rows : 0))) != NRX_OK)
        return status;
    rhs = nrxi_solver_vector(&s, n);
    r = nrxi_solver_vector(&s, n);
    d = nrxi_solver_vector(&s, n);
    q = nrxi_solver_vector(&s, n);
    atb = nrxi_solver_vector(&s, n); p.t = nrxi_solver_vector(&s, n);
    z = nrxi_solver_vector(&s, m);
    zo = nrxi_solver_vector(&s, m);
    u = nrxi_solver_vector(&s, m);
    kx = nrxi_solver_vector(&s, m);
    p.ax = nrxi_solver_vector(&s, nrxi_opt_max_size(m, A ? A->rows : 0));
    p.kx = zo; /* free while the normal operator runs */
    p.rho = s.d.step > 0.0 ? s.d.step : 1.0;
    if (A) { if (nrxi_solver_adjoint(&s, A, b, atb)) return nrxi_solver_end(&s); }
    else nrxi_vec_copy(n, t, b, atb);
    if (K) { if (nrxi_solver_apply(&s, K, x, z)) return nrxi_solver_end(&s); }
    else nrxi_vec_copy(n, t, x, z);
    goal = 1e-4 * nrxi_vec_norm(n, t, atb);
    for (k = 1; k <= s.d.max_iter && !s.info->stop; k++) {
        /* x: (A^T A + rho K^T K) x = A^T b + rho K^T (z - u), CG from the last x */
        nrxi_vec_lin(m, t, 1.0, z, -1.0, u, kx);
        if (K) { if (nrxi_solver_adjoint(&s, K, kx, rhs)) break; } else nrxi_vec_copy(n, t, kx, rhs);
        nrxi_vec_lin(n, t, 1.0, atb, p.rho, rhs, rhs);
        if (nrxi_opt_admm_normal(&s, &p, x, q)) break;
        nrxi_vec_lin(n, t, 1.0, rhs, -1.0, q, r);
        nrxi_vec_copy(n, t, r, d);
        rr = nrxi_vec_dot(n, t, r, r);
        if (!nrxi_finite_f64(&rr)) { nrxi_solver_stop(&s, NRX_STOP_NUMERIC); break; }
        for (it = 0; it < 50 && sqrt(rr) > goal; it++) {
            if (nrxi_opt_admm_normal(&s, &p, d, q)) break;
            dq = nrxi_vec_dot(n, t, d, q);
            if (!(dq > 0.0)) break;
            nrxi_vec_axpy(n, t, rr / dq, d, x);
            nrxi_vec_axpy(n, t, -rr / dq, q, r);
            old = rr;
            rr = nrxi_vec_dot(n, t, r, r);
            nrxi_vec_lin(n, t, 1.0, r, rr / old, d, d);
        }
        if (s.info->stop) break;
        if (K) { if (nrxi_solver_apply(&s, K, x, kx)) break; } else nrxi_vec_copy(n, t, x, kx);
        /* z = prox_{g/rho}(w + u), u += w - z, w = 1.6 K x - 0.6 z */
        nrxi_vec_copy(m, t, z, zo);
        sp = nrxi_vec_norm(m, t, kx);
        nrxi_vec_lin(m, t, 1.6, kx, -0.6, z, p.ax);
        nrxi_vec_axpy(m, t, 1.0, p.ax, u);
        if (nrxi_solver_prox(&s, g, 1.0 / p.rho, u, z)) break;
        nrxi_vec_axpy(m, t, -1.0, z, u);
        rp = nrxi_vec_dist(m, t, kx, z);
        nrxi_vec_lin(m, t, 1.0, z, -1.0, zo, zo);
        if (K) { if (nrxi_solver_adjoint(&s, K, zo, r) || nrxi_solver_adjoint(&s, K, u, q)) break; }
        else { nrxi_vec_copy(n, t, zo, r); nrxi_vec_copy(n, t, u, q); }
        rd = p.rho * nrxi_vec_norm(n, t, r);
        sd = p.rho * nrxi_vec_norm(n, t, q);
        old = nrxi_vec_norm(m, t, z);
        if (old > sp) sp = old;
        if (!nrxi_finite_f64(&rp) || !nrxi_finite_f64(&rd)) { nrxi_solver_stop(&s, NRX_STOP_NUMERIC); break; }
        s.info->residual = rp / (sp > 0.0 ? sp : 1.0);
        if (rd / (sd > 0.0 ? sd : 1.0) > s.info->residual) s.info->residual = rd / (sd > 0.0 ? sd : 1.0);
        if (nrxi_solver_report(&s, k, s.info->residual)) break;
        if (s.info->residual <= s.d.tol) { nrxi_solver_stop(&s, NRX_STOP_TOL); break; }
        goal = 0.1 * (rp < rd ? rp : rd);
        if (goal < 4.0 * s.eps * nrxi_vec_norm(n, t, rhs)) goal = 4.0 * s.eps * nrxi_vec_norm(n, t, rhs);
        /* balance; u is scaled by 1/rho */
        if (k % 10 == 0 && k < 500 && (rp > 10.0 * rd || rd > 10.0 * rp)) {
            double grow = rp > rd ? 2.0 : 0.5;
            p.rho *= grow;
            nrxi_vec_scale(m, t, 1.0 / grow, u);
        }
    }
    s.info->step = p.rho;
    if (s.info->stop != NRX_STOP_CALLBACK && g->eval) { /* objective at (x, z = K x) */
        double v = 0.0, e = 0.0;
        const void *ax = x;
        int bad = A ? nrxi_solver_apply(&s, A, x, p.ax) : 0;
        if (A) ax = p.ax;
        if (!bad) e = nrxi_vec_dist(A ? A->rows : n, t, ax, b);
        if (!bad && K) bad = nrxi_solver_apply(&s, K, x, kx);
        else if (!bad) nrxi_vec_copy(n, t, x, kx);
        if (!bad && !nrxi_solver_eval(&s, g, kx, &v, NULL)) s.info->objective = 0.5 * e * e + v;
    }
    return nrxi_solver_end(&s);
}

/* ---- line search for smooth functions ---- */

typedef struct nrxi_opt_line {
    nrxi_solver *s;
    const nrx_functional *f;
    const void *x, *d;
    void *xt, *gt;         /* trial point and its gradient */
    double phi0, slope0;
    int failed;            /* a callback failed */
} nrxi_opt_line;

NRXI_FN void nrxi_opt_line_eval(nrxi_opt_line *l, double a, double *phi, double *slope)
{
    nrxi_vec_lin(l->f->n, l->s->dtype, 1.0, l->x, a, l->d, l->xt);
    if (nrxi_solver_eval(l->s, l->f, l->xt, phi, l->gt)) { l->failed = 1; *phi = *slope = 0.0; return; }
    *slope = nrxi_vec_dot(l->f->n, l->s->dtype, l->gt, l->d);
    if (!nrxi_finite_f64(phi) || !nrxi_finite_f64(slope)) { *phi = HUGE_VAL; *slope = 0.0; }
}

/* Strong Wolfe, or Hager and Zhang's approximate form where f can no longer tell the points apart. */
NRXI_FN int nrxi_opt_line_good(const nrxi_opt_line *l, double a, double phi, double slope, double c2)
{
    if (phi <= l->phi0 + 1e-4 * a * l->slope0 && fabs(slope) <= -c2 * l->slope0) return 1;
    return fabs(phi - l->phi0) <= 4.0 * l->s->eps * fabs(l->phi0) && slope >= 0.9 * l->slope0 &&
           slope <= -0.8 * l->slope0 && fabs(slope) <= -c2 * l->slope0;
}

/* Minimum of the cubic through two values and slopes, kept a tenth of the interval away from its ends. */
NRXI_FN double nrxi_opt_line_cubic(double a, double fa, double ga, double b, double fb, double gb)
{
    double d1, disc, m = 0.5 * (a + b), lo = a < b ? a : b, len = fabs(b - a);
    if (nrxi_finite_f64(&fa) && nrxi_finite_f64(&fb)) {
        d1 = ga + gb - 3.0 * (fa - fb) / (a - b);
        disc = d1 * d1 - ga * gb;
        if (disc >= 0.0) {
            double d2 = b > a ? sqrt(disc) : -sqrt(disc), den = gb - ga + 2.0 * d2, t;
            t = b - (b - a) * (gb + d2 - d1) / den;
            if (den != 0.0 && nrxi_finite_f64(&t)) m = t;
        }
    }
    if (m < lo + 0.1 * len) m = lo + 0.1 * len;
    if (m > lo + 0.9 * len) m = lo + 0.9 * len;
    return m;
}

/* Nocedal and Wright, algorithms 3.5 and 3.6. 1: xt, gt, *phi hold an acceptable point at *step; 0: none
   found. */
NRXI_FN int nrxi_opt_line_search(nrxi_opt_line *l, double first, double c2, double *step, double *phi)
{
    double lo = 0.0, flo = l->phi0, glo = l->slope0, hi = 0.0, fhi = 0.0, ghi = 0.0, a = first, g;
    int i, bracketed = 0;
    for (i = 0; i < 40; i++) {
        nrxi_opt_line_eval(l, a, phi, &g);
        *step = a;
        if (l->failed) return 0;
        if (nrxi_opt_line_good(l, a, *phi, g, c2)) return 1;
        if (!bracketed) {
            if (*phi > l->phi0 + 1e-4 * a * l->slope0 || (i > 0 && *phi >= flo)) {
                hi = a;
                fhi = *phi;
                ghi = g;
                bracketed = 1;
            } else if (g >= 0.0) {
                hi = lo;
                fhi = flo;
                ghi = glo;
                lo = a;
                flo = *phi;
                glo = g;
                bracketed = 1;
            } else {
                lo = a;
                flo = *phi;
                glo = g;
                a *= 2.5;
                if (!nrxi_finite_f64(&a)) return 0;
                continue;
            }
        } else if (*phi > l->phi0 + 1e-4 * a * l->slope0 || *phi >= flo) { hi = a; fhi = *phi; ghi = g; }
        else {
            if (g * (hi - lo) >= 0.0) { hi = lo; fhi = flo; ghi = glo; }
            lo = a; flo = *phi; glo = g;
        }
        if (fabs(hi - lo) <= 4.0 * l->s->eps * (fabs(lo) + fabs(hi))) break;
        a = nrxi_opt_line_cubic(lo, flo, glo, hi, fhi, ghi);
    }
    /* decreases, if not curved enough */
    if (lo > 0.0 && flo < l->phi0) { nrxi_opt_line_eval(l, lo, phi, &g); *step = lo; return !l->failed; }
    return 0;
}

NRXI_FN nrx_status nrxi_opt_smooth_begin(nrxi_solver *s, const char *who, const nrx_functional *f, void *x,
    size_t vectors, const nrx_solve_desc *desc, nrx_solve_info *info)
{
    nrx_status status = nrxi_opt_need3(who, desc, f, x, x);
    if (status != NRX_OK || (status = nrxi_solver_begin(s, who, f->dtype, desc, info)) != NRX_OK ||
        (status = nrxi_solver_check_functional(s, f, f->n, 1, 0)) != NRX_OK)
        return status;
    return nrxi_solver_room(s, vectors, f->n, 0, 0);
}

/* What of the gradient counts under bounds: entries that would leave the box are zeroed in p. Returns its
   norm. */
NRXI_FN double nrxi_opt_free_gradient(const nrxi_solver *s, size_t n, const void *x, const void *g, void *p)
{
    size_t i;
    if (p != g) nrxi_vec_copy(n, s->dtype, g, p);
    if (s->d.use_lower || s->d.use_upper)
        for (i = 0; i < n; i++) {
            double xi = s->dtype == NRX_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
            double gi = s->dtype == NRX_F32 ? (double)((const float *)g)[i] : ((const double *)g)[i];
            if ((s->d.use_lower && xi <= s->d.lower && gi > 0.0) ||
                (s->d.use_upper && xi >= s->d.upper && gi < 0.0)) {
                if (s->dtype == NRX_F32) ((float *)p)[i] = 0.0f;
                else ((double *)p)[i] = 0.0;
            }
        }
    return nrxi_vec_norm(n, s->dtype, p);
}
/* d: entries where the free gradient is zero at a bound stay put */
NRXI_FN void nrxi_opt_mask_direction(const nrxi_solver *s, size_t n, const void *x, void *d, const void *p)
{
    size_t i;
    for (i = 0; i < n; i++) {
        double xi = s->dtype == NRX_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
        double pi = s->dtype == NRX_F32 ? (double)((const float *)p)[i] : ((const double *)p)[i];
        if (pi == 0.0 && ((s->d.use_lower && xi <= s->d.lower) || (s->d.use_upper && xi >= s->d.upper))) {
            if (s->dtype == NRX_F32) ((float *)d)[i] = 0.0f;
            else ((double *)d)[i] = 0.0;
        }
    }
}

/* Projected backtracking along d: xt = P(x + a d) with Armijo's condition on the projected step. */
NRXI_FN int nrxi_opt_line_projected(nrxi_opt_line *l, const void *g, double *step, double *phi)
{
    nrxi_solver *s = l->s;
    size_t n = l->f->n;
    int i, t = s->dtype;
    double a = *step;
    for (i = 0; i < 50; i++, a *= 0.5) {
        double gain;
        nrxi_vec_lin(n, t, 1.0, l->x, a, l->d, l->xt);
        nrxi_vec_clamp(n, t, l->xt, &s->d);
        nrxi_vec_lin(n, t, 1.0, l->xt, -1.0, l->x, l->gt);
        gain = nrxi_vec_dot(n, t, g, l->gt);
        if (nrxi_solver_eval(s, l->f, l->xt, phi, l->gt)) { l->failed = 1; return 0; }
        if (nrxi_finite_f64(phi) && gain < 0.0 &&
            *phi <= l->phi0 + 1e-4 * gain + 2.0 * s->eps * fabs(l->phi0)) {
            *step = a;
            return 1;
        }
    }
    return 0;
}

/* L-BFGS (Nocedal 1980); under bounds a projected variant on the free variables (Bertsekas 1982). One body
   with nonlinear CG. */
NRXI_FN nrx_status nrxi_opt_quasi_newton(const char *who, int ncg, const nrx_functional *f, void *x,
    const nrx_solve_desc *desc, nrx_solve_info *info)
{
    nrxi_solver s;
    nrxi_opt_line line;
    size_t n = f ? f->n : 0, k, i, m = desc && desc->memory ? desc->memory : 8, have = 0, head = 0;
    int t, bounded, fresh = 1;
    void *g, *d, *xt, *gt, *p, *S[64], *Y[64];
    double fx, gn, step, rho[64], alpha[64], phi = 0.0, gg = 0.0;
    nrx_status status;
    if (m > 64)
        return nrxi_fail(
            desc ? &desc->env : NULL, NRX_E_ARG, "%s: memory of %zu pairs, expected at most 64", who, m);
    status = nrxi_opt_smooth_begin(&s, who, f, x, 5 + (ncg ? 0 : 2 * m), desc, info);
    if (status != NRX_OK) return status;
    t = f->dtype;
    g = nrxi_solver_vector(&s, n);
    d = nrxi_solver_vector(&s, n);
    xt = nrxi_solver_vector(&s, n);
    gt = nrxi_solver_vector(&s, n);
    p = nrxi_solver_vector(&s, n);
    for (i = 0; !ncg && i < m; i++) { S[i] = nrxi_solver_vector(&s, n); Y[i] = nrxi_solver_vector(&s, n); }
    bounded = s.d.use_lower || s.d.use_upper;
    nrxi_vec_clamp(n, t, x, &s.d);
    if (nrxi_solver_eval(&s, f, x, &fx, g)) return nrxi_solver_end(&s);
    s.info->objective = fx;
    gn = nrxi_opt_free_gradient(&s, n, x, g, p);
    if (!nrxi_finite_f64(&fx) || !nrxi_finite_f64(&gn)) {
        nrxi_solver_stop(&s, NRX_STOP_NUMERIC);
        return nrxi_solver_end(&s);
    }
    line.s = &s; line.f = f; line.x = x; line.d = d; line.xt = xt; line.gt = gt; line.failed = 0;
    nrxi_vec_lin(n, t, -1.0, p, 0.0, p, d);
    for (k = 1; k <= s.d.max_iter + 1; k++) {
        double xn = nrxi_vec_norm(n, t, x), sy, yy;
        s.info->residual = gn / (xn > 1.0 ? xn : 1.0);
        if (s.info->residual <= s.d.tol) {
            nrxi_solver_stop(&s, k == 1 ? NRX_STOP_EXACT : NRX_STOP_TOL);
            break;
        }
        if (k > s.d.max_iter) break;
        line.phi0 = fx;
        line.slope0 = nrxi_vec_dot(n, t, g, d);
        if (!(line.slope0 < 0.0)) {
            nrxi_vec_lin(n, t, -1.0, p, 0.0, p, d);
            line.slope0 = -gn * gn;
            fresh = 1;
            have = 0;
        }
        step = s.d.step > 0.0 ? s.d.step
               : fresh        ? (1.0 / gn < 1.0 ? 1.0 / gn : 1.0)
               : ncg          ? 2.0 * (phi != 0.0 ? 0.5 * gg / -line.slope0 : 0.5)
                              : 1.0;
        if (ncg && !fresh && !(step > 0.0 && step < 1e6)) step = 1.0;
        if (!(bounded ? nrxi_opt_line_projected(&line, g, &step, &phi)
                      : nrxi_opt_line_search(&line, step, ncg ? 0.1 : 0.9, &step, &phi))) {
            if (line.failed) break;
            if (fresh) {
                nrxi_solver_stop(
                    &s, s.info->residual < 1e3 * sqrt(s.eps) ? NRX_STOP_STALLED : NRX_STOP_LINESEARCH);
                break;
            }
            nrxi_vec_lin(n, t, -1.0, p, 0.0, p, d); /* forget everything, once */
            fresh = 1;
            have = 0;
            s.info->restarts++;
            continue;
        }
        s.info->step = step;
        if (ncg) { /* Polak-Ribiere+ */
            double gamma = nrxi_vec_dot(n, t, gt, gt) - nrxi_vec_dot(n, t, gt, g),
                   den = nrxi_vec_dot(n, t, g, g);
            gg = -line.slope0 * step; /* what the last slope promised: scales the next first step */
            nrxi_vec_lin(n, t, -1.0, gt, gamma > 0.0 ? gamma / den : 0.0, d, d);
        } else { /* s = x+ - x, y = g+ - g; kept only when curved upwards */
            nrxi_vec_lin(n, t, 1.0, xt, -1.0, x, S[head]);
            nrxi_vec_lin(n, t, 1.0, gt, -1.0, g, Y[head]);
            sy = nrxi_vec_dot(n, t, S[head], Y[head]);
            yy = nrxi_vec_dot(n, t, Y[head], Y[head]);
            if (sy > 1e-10 * yy && sy > 0.0) {
                rho[head] = 1.0 / sy;
                head = (head + 1) % m;
                if (have < m) have++;
            }
        }
        nrxi_vec_copy(n, t, xt, x);
        nrxi_vec_copy(n, t, gt, g);
        fx = s.info->objective = phi;
        gn = nrxi_opt_free_gradient(&s, n, x, g, p);
        fresh = 0;
        if (!ncg) { /* two loops */
            nrxi_vec_lin(n, t, -1.0, p, 0.0, p, d);
            for (i = 0; i < have; i++) {
                size_t j = (head + m - 1 - i) % m;
                alpha[j] = rho[j] * nrxi_vec_dot(n, t, S[j], d);
                nrxi_vec_axpy(n, t, -alpha[j], Y[j], d);
            }
            if (have) {
                size_t j = (head + m - 1) % m;
                nrxi_vec_scale(n, t, 1.0 / (rho[j] * nrxi_vec_dot(n, t, Y[j], Y[j])), d);
            } else fresh = 1;
            for (i = have; i-- > 0;) {
                size_t j = (head + m - 1 - i) % m;
                nrxi_vec_axpy(n, t, alpha[j] - rho[j] * nrxi_vec_dot(n, t, Y[j], d), S[j], d);
            }
            if (bounded) nrxi_opt_mask_direction(&s, n, x, d, p);
        }
        if (nrxi_solver_report(&s, k, fx)) break;
    }
    return nrxi_solver_end(&s);
}
NRX_DEF nrx_status nrx_opt_lbfgs(
    const nrx_functional *f, void *x, const nrx_solve_desc *desc, nrx_solve_info *info)
{
    return nrxi_opt_quasi_newton("nrx_opt_lbfgs", 0, f, x, desc, info);
}
NRX_DEF nrx_status nrx_opt_ncg(
    const nrx_functional *f, void *x, const nrx_solve_desc *desc, nrx_solve_info *info)
{
    if (desc && (desc->use_lower || desc->use_upper))
        return nrxi_fail(
            &desc->env, NRX_E_UNSUPPORTED, "nrx_opt_ncg: bounds; use nrx_opt_lbfgs or nrx_opt_bb");
    return nrxi_opt_quasi_newton("nrx_opt_ncg", 1, f, x, desc, info);
}

/* Spectral projected gradient (Birgin, Martinez, Raydan 2000): Barzilai-Borwein steps, decrease against
   the worst of the last ten values. */
NRX_DEF nrx_status nrx_opt_bb(
    const nrx_functional *f, void *x, const nrx_solve_desc *desc, nrx_solve_info *info)
{
    nrxi_solver s;
    size_t n = f ? f->n : 0, k, i;
    int t, tries;
    void *g, *xt, *gt, *d;
    double fx, phi, step, last[10], worst, gd, a, gn;
    nrx_status status = nrxi_opt_smooth_begin(&s, "nrx_opt_bb", f, x, 4, desc, info);
    if (status != NRX_OK) return status;
    t = f->dtype;
    g = nrxi_solver_vector(&s, n);
    xt = nrxi_solver_vector(&s, n);
    gt = nrxi_solver_vector(&s, n);
    d = nrxi_solver_vector(&s, n);
    nrxi_vec_clamp(n, t, x, &s.d);
    if (nrxi_solver_eval(&s, f, x, &fx, g)) return nrxi_solver_end(&s);
    gn = nrxi_opt_free_gradient(&s, n, x, g, d);
    if (!nrxi_finite_f64(&fx) || !nrxi_finite_f64(&gn)) {
        nrxi_solver_stop(&s, NRX_STOP_NUMERIC);
        return nrxi_solver_end(&s);
    }
    for (i = 0; i < 10; i++) last[i] = fx;
    step = s.d.step > 0.0 ? s.d.step : gn > 0.0 ? 1.0 / gn : 1.0;
    for (k = 1; k <= s.d.max_iter + 1; k++) {
        double xn = nrxi_vec_norm(n, t, x), ss, sy;
        s.info->residual = gn / (xn > 1.0 ? xn : 1.0);
        s.info->objective = fx;
        if (s.info->residual <= s.d.tol) {
            nrxi_solver_stop(&s, k == 1 ? NRX_STOP_EXACT : NRX_STOP_TOL);
            break;
        }
        if (k > s.d.max_iter) break;
        nrxi_vec_lin(n, t, 1.0, x, -step, g, d);
        nrxi_vec_clamp(n, t, d, &s.d);
        nrxi_vec_lin(n, t, 1.0, d, -1.0, x, d);
        gd = nrxi_vec_dot(n, t, g, d);
        for (worst = last[0], i = 1; i < 10; i++) if (last[i] > worst) worst = last[i];
        for (a = 1.0, tries = 0; ; a *= 0.5, tries++) {
            nrxi_vec_lin(n, t, 1.0, x, a, d, xt);
            if (nrxi_solver_eval(&s, f, xt, &phi, gt)) break;
            if ((nrxi_finite_f64(&phi) && phi <= worst + 1e-4 * a * gd + 2.0 * s.eps * fabs(worst)) ||
                tries >= 50)
                break;
        }
        if (s.info->stop) break;
        if (tries >= 50) { nrxi_solver_stop(&s, NRX_STOP_LINESEARCH); break; }
        nrxi_vec_lin(n, t, 1.0, gt, -1.0, g, g);
        ss = a * a * nrxi_vec_dot(n, t, d, d);
        sy = a * nrxi_vec_dot(n, t, d, g);
        step = sy > 0.0 ? ss / sy : 1e3 * step;
        if (!(step > 1e-30)) step = 1e-30;
        if (step > 1e30) step = 1e30;
        s.info->step = step;
        nrxi_vec_copy(n, t, xt, x);
        nrxi_vec_copy(n, t, gt, g);
        fx = last[k % 10] = phi;
        gn = nrxi_opt_free_gradient(&s, n, x, g, d);
        if (nrxi_solver_report(&s, k, fx)) { s.info->objective = fx; break; }
    }
    return nrxi_solver_end(&s);
}

/* Projected subgradient (Polyak 1969; Shor). */
NRX_DEF nrx_status nrx_opt_subgradient(const nrx_functional *f, const nrx_functional *g, void *x,
    const nrx_solve_desc *desc, nrx_solve_info *info)
{
    nrxi_solver s;
    size_t n = f ? f->n : 0, k;
    int t;
    void *y, *sub;
    double fx, best = HUGE_VAL, norm, step;
    nrx_status status = nrxi_opt_smooth_begin(&s, "nrx_opt_subgradient", f, x, 2, desc, info);
    if (status != NRX_OK) return status;
    t = f->dtype;
    if ((s.status = nrxi_solver_check_functional(&s, g, n, 0, 1)) != NRX_OK) {
        nrxi_free(&s.d.env, s.memory);
        return s.status;
    }
    y = nrxi_solver_vector(&s, n);
    sub = nrxi_solver_vector(&s, n);
    nrxi_vec_copy(n, t, x, y);
    for (k = 0; k <= s.d.max_iter; k++) {
        if (k == 0) { if (g && nrxi_solver_prox(&s, g, 1.0, y, y)) break; nrxi_vec_clamp(n, t, y, &s.d); }
        if (nrxi_solver_eval(&s, f, y, &fx, sub)) break;
        norm = nrxi_vec_norm(n, t, sub);
        if (!nrxi_finite_f64(&fx) || !nrxi_finite_f64(&norm)) {
            nrxi_solver_stop(&s, NRX_STOP_NUMERIC);
            break;
        }
        if (fx < best) { best = fx; nrxi_vec_copy(n, t, y, x); }
        s.info->objective = best;
        s.info->residual = s.d.use_target ? best - s.d.target : norm;
        if (k > 0 && nrxi_solver_report(&s, k, fx)) break;
        if (norm == 0.0) { nrxi_solver_stop(&s, k ? NRX_STOP_TOL : NRX_STOP_EXACT); break; }
        if (s.d.use_target &&
            best - s.d.target <= s.d.tol * (fabs(s.d.target) > 1.0 ? fabs(s.d.target) : 1.0)) {
            nrxi_solver_stop(&s, NRX_STOP_TOL);
            break;
        }
        step = s.d.use_target ? (fx - s.d.target) / norm
                              : (s.d.step > 0.0 ? s.d.step : 1.0) / sqrt((double)(k + 1));
        s.info->step = step;
        nrxi_vec_axpy(n, t, -step / norm, sub, y);
        if (g && nrxi_solver_prox(&s, g, step, y, y)) break;
        nrxi_vec_clamp(n, t, y, &s.d);
    }
    return nrxi_solver_end(&s);
}

/* Levenberg-Marquardt with Nielsen's damping update (Madsen, Nielsen, Tingleff 2004). */
NRX_DEF nrx_status nrx_opt_levenberg(nrx_opt_residual_fn fn, void *user, size_t m, size_t n, double *x,
    const nrx_solve_desc *desc, nrx_solve_info *info)
{
    nrxi_solver s;
    size_t k, i, j, size;
    double *J, *r, *H, *g, *d, *xt, *L, f, ft = 0.0, mu = 0.0, nu = 2.0, gn, g0 = 0.0, f0 = 0.0, damp;
    nrx_status status = nrxi_opt_need("nrx_opt_levenberg", desc, fn && x ? x : NULL, "fn or x");
    if (status != NRX_OK ||
        (status = nrxi_solver_begin(&s, "nrx_opt_levenberg", NRX_F64, desc, info)) != NRX_OK)
        return status;
    if (!nrxi_mul_ok(m, n, &size) || !nrxi_mul_ok(n, n, &i) || !nrxi_add_ok(size, 2 * i, &size) ||
        size > (size_t)-1 / 64)
        return nrxi_fail(
            &s.d.env, NRX_E_RANGE, "nrx_opt_levenberg: %zu residuals of %zu unknowns overflow", m, n);
    J = (double *)nrxi_alloc(&s.d.env, size + m + 3 * n, sizeof(double));
    if (!J) return nrxi_fail(&s.d.env, NRX_E_NOMEM, "nrx_opt_levenberg: no memory");
    s.memory = (unsigned char *)J;
    H = J + m * n; L = H + n * n; r = L + n * n; g = r + m; d = g + n; xt = d + n;
    s.info->evals = 1;
    if (nrxi_solver_called(&s, fn(user, x, r, J), "the residual function")) return nrxi_solver_end(&s);
    f = 0.5 * nrxi_vec_dot(m, NRX_F64, r, r);
    if (!nrxi_finite_f64(&f)) { nrxi_solver_stop(&s, NRX_STOP_NUMERIC); return nrxi_solver_end(&s); }
    for (k = 1; k <= s.d.max_iter; ) {
        nrxi_gemm_f64(1, 0, n, n, m, 1.0, J, n, J, n, 0.0, H, n, NULL, &s.d.env);
        for (j = 0; j < n; j++) for (g[j] = 0.0, i = 0; i < m; i++) g[j] += J[i * n + j] * r[i];
        gn = nrxi_vec_norm(n, NRX_F64, g);
        if (g0 == 0.0) {
            g0 = gn > 0.0 ? gn : 1.0;
            for (j = 0; j < n; j++) if (H[j * n + j] > mu) mu = H[j * n + j];
            mu *= 1e-3;
            if (mu == 0.0) mu = 1e-3;
            f0 = f;
        }
        s.info->residual = gn / g0;
        s.info->objective = f;
        if (gn <= s.d.tol * g0 || f == 0.0) { nrxi_solver_stop(&s, NRX_STOP_TOL); break; }
        for (;;) { /* shrink the region until the step decreases f */
            double gain, model = 0.0;
            damp = mu * sqrt(f / f0);
            memcpy(L, H, n * n * sizeof *L);
            for (j = 0; j < n; j++) { L[j * n + j] += damp; d[j] = -g[j]; }
            if (nrxi_cholesky(n, L, n) == NRX_OK && nrxi_cholesky_solve(n, L, n, d, 1) == NRX_OK) {
                for (j = 0; j < n; j++) { xt[j] = x[j] + d[j]; model += 0.5 * d[j] * (damp * d[j] - g[j]); }
                if (nrxi_vec_norm(n, NRX_F64, d) <= s.eps * nrxi_vec_norm(n, NRX_F64, x)) {
                    nrxi_solver_stop(&s, NRX_STOP_STALLED);
                    break;
                }
                s.info->evals++;
                if (nrxi_solver_called(&s, fn(user, xt, r, NULL), "the residual function")) break;
                ft = 0.5 * nrxi_vec_dot(m, NRX_F64, r, r);
                gain = nrxi_finite_f64(&ft) && model > 0.0 ? (f - ft) / model : -1.0;
                if (gain > 0.0) {
                    double q = 2.0 * gain - 1.0, z = 1.0 - q * q * q;
                    mu *= z > 1.0 / 3.0 ? z : 1.0 / 3.0;
                    nu = 2.0;
                    break;
                }
            }
            mu *= nu;
            nu *= 2.0;
            if (!(mu < 1e300)) { nrxi_solver_stop(&s, NRX_STOP_STALLED); break; }
        }
        if (s.info->stop) break;
        memcpy(x, xt, n * sizeof *x);
        s.info->evals++;
        if (nrxi_solver_called(&s, fn(user, x, r, J), "the residual function")) break;
        f = ft;
        s.info->objective = f;
        if (nrxi_solver_report(&s, k, f)) break;
        k++;
    }
    return nrxi_solver_end(&s);
}

/* ---- fixed points and monotone inclusions ---- */

NRXI_FN nrx_status nrxi_opt_map_begin(nrxi_solver *s, const char *who, int given, size_t n, int dtype,
    size_t vectors, const nrx_solve_desc *desc, nrx_solve_info *info)
{
    nrx_status status = given
                            ? nrxi_solver_begin(s, who, dtype, desc, info)
                            : nrxi_fail(desc ? &desc->env : NULL, NRX_E_ARG, "%s: the map or x is NULL", who);
    return status == NRX_OK ? nrxi_solver_room(s, vectors, n, 0, 0) : status;
}

/* Halpern iteration with the optimal weights (Lieder 2021: residual <= 2 |x0 - x*| / (k+1)). */
NRX_DEF nrx_status nrx_opt_halpern(nrx_opt_map_fn map, void *user, size_t n, int dtype, void *x,
    const nrx_solve_desc *desc, nrx_solve_info *info)
{
    nrxi_solver s;
    size_t k;
    void *x0, *tx;
    double r;
    nrx_status status = nrxi_opt_map_begin(&s, "nrx_opt_halpern", map && x, n, dtype, 2, desc, info);
    if (status != NRX_OK) return status;
    x0 = nrxi_solver_vector(&s, n);
    tx = nrxi_solver_vector(&s, n);
    nrxi_vec_copy(n, dtype, x, x0);
    for (k = 0; k <= s.d.max_iter; k++) {
        double lambda = 1.0 / (double)(k + 2);
        s.info->evals++;
        if (nrxi_solver_called(&s, map(user, x, tx), "the map")) break;
        r = nrxi_vec_dist(n, dtype, x, tx);
        if (!nrxi_finite_f64(&r)) { nrxi_solver_stop(&s, NRX_STOP_NUMERIC); break; }
        s.info->residual = r;
        if (k > 0 && nrxi_solver_report(&s, k, r)) break;
        if (r <= s.d.tol) { nrxi_solver_stop(&s, k ? NRX_STOP_TOL : NRX_STOP_EXACT); break; }
        if (k < s.d.max_iter) nrxi_vec_lin(n, dtype, lambda, x0, 1.0 - lambda, tx, x);
    }
    return nrxi_solver_end(&s);
}

/* Anderson acceleration, type II (Walker and Ni 2011): the combination of the last residuals of least
   norm. */
NRX_DEF nrx_status nrx_opt_anderson(nrx_opt_map_fn map, void *user, size_t n, int dtype, void *x,
    const nrx_solve_desc *desc, nrx_solve_info *info)
{
    nrxi_solver s;
    size_t m = desc && desc->memory ? desc->memory : 5, k, i, j, have = 0, head = 0;
    void *tx, *f, *fo, *to, *DF[32], *DT[32];
    double r, best = HUGE_VAL, gram[32 * 32], rhs[32];
    nrx_status status;
    if (m > 32)
        return nrxi_fail(
            desc ? &desc->env : NULL, NRX_E_ARG, "nrx_opt_anderson: memory of %zu, expected at most 32", m);
    status = nrxi_opt_map_begin(&s, "nrx_opt_anderson", map && x, n, dtype, 4 + 2 * m, desc, info);
    if (status != NRX_OK) return status;
    tx = nrxi_solver_vector(&s, n);
    f = nrxi_solver_vector(&s, n);
    fo = nrxi_solver_vector(&s, n);
    to = nrxi_solver_vector(&s, n);
    for (i = 0; i < m; i++) { DF[i] = nrxi_solver_vector(&s, n); DT[i] = nrxi_solver_vector(&s, n); }
    for (k = 0; k <= s.d.max_iter; k++) {
        s.info->evals++;
        if (nrxi_solver_called(&s, map(user, x, tx), "the map")) break;
        nrxi_vec_lin(n, dtype, 1.0, tx, -1.0, x, f);
        r = nrxi_vec_norm(n, dtype, f);
        if (!nrxi_finite_f64(&r)) { nrxi_solver_stop(&s, NRX_STOP_NUMERIC); break; }
        s.info->residual = r;
        if (k > 0 && nrxi_solver_report(&s, k, r)) break;
        if (r <= s.d.tol) { nrxi_solver_stop(&s, k ? NRX_STOP_TOL : NRX_STOP_EXACT); break; }
        if (k == s.d.max_iter) break;
        if (r > 10.0 * best) { have = 0; s.info->restarts++; best = r; } /* the history misleads */
        else if (k > 0) {
            nrxi_vec_lin(n, dtype, 1.0, f, -1.0, fo, DF[head]);
            nrxi_vec_lin(n, dtype, 1.0, tx, -1.0, to, DT[head]);
            head = (head + 1) % m;
            if (have < m) have++;
        }
        if (r < best) best = r;
        nrxi_vec_copy(n, dtype, f, fo);
        nrxi_vec_copy(n, dtype, tx, to);
        nrxi_vec_copy(n, dtype, tx, x);
        if (have) { /* min |f - DF c|: normal equations with a relative ridge */
            double top = 0.0;
            for (i = 0; i < have; i++) {
                for (j = 0; j <= i; j++) gram[i * have + j] = nrxi_vec_dot(n, dtype, DF[i], DF[j]);
                rhs[i] = nrxi_vec_dot(n, dtype, DF[i], f);
                if (gram[i * have + i] > top) top = gram[i * have + i];
            }
            for (i = 0; i < have; i++) gram[i * have + i] += (dtype == NRX_F32 ? 1e-7 : 1e-13) * top + 1e-300;
            if (nrxi_cholesky(have, gram, have) == NRX_OK &&
                nrxi_cholesky_solve(have, gram, have, rhs, 1) == NRX_OK)
                for (i = 0; i < have; i++) nrxi_vec_axpy(n, dtype, -rhs[i], DT[i], x);
            else have = 0;
        }
    }
    return nrxi_solver_end(&s);
}

/* Sum of component differences F_i(u) - F_i(v) over a batch, or the full mean at u when v is NULL; t:
   workspace. */
NRXI_FN int nrxi_opt_vr_sum(nrxi_solver *s, nrx_opt_component_fn component, void *user, size_t from,
    size_t count, size_t total, nrx_rng *rng, size_t n, const void *u, const void *v, void *t, void *sum,
    double weight)
{
    size_t q;
    for (q = 0; q < count; q++) {
        size_t i = rng ? (size_t)nrx_rng_below(rng, (uint64_t)total) : from + q;
        s->info->evals++;
        if (nrxi_solver_called(s, component(user, i, u, t), "a component")) return 1;
        nrxi_vec_axpy(n, s->dtype, weight, t, sum);
        if (!v) continue;
        s->info->evals++;
        if (nrxi_solver_called(s, component(user, i, v, t), "a component")) return 1;
        nrxi_vec_axpy(n, s->dtype, -weight, t, sum);
    }
    return 0;
}

/* Why the bound holds. r_k = F(x_k) + g_k; e_k = F~_k - F(x_k); D_k = mean |F_i(x_{k+1}) - F_i(x_k)|^2, at
   least |d|^2 for d = F(x_{k+1}) - F(x_k); b = ceil(sqrt m) drawn with replacement; h = 1/(4 L). The step
   says x_{k+1} - x_0 = (1 - l)(x_k - x_0) - h w and x_{k+1} - x_k = -l (x_k - x_0) - h w with w = r_{k+1} -
   d + e_k. Put into <r_{k+1} - r_k, x_{k+1} - x_k> >= D_k/L (cocoercivity, monotone dg), times
   (k+2)(k+3)(k+4)/2 = B_k/l: the potential V_k = h (k+2)(k+3)(k+4)/4 |r_k|^2 + (k+2)(k+3) <r_k, x_k - x_0>,
   using 2 <p, q> = |p|^2 + |q|^2 - |p - q|^2 for p = r_{k+1}, q = r_k, <p - q, d - e> <= |p - q|^2/2 + |d -
   e|^2/2, <p, d - e> <= |p|^2/4 + |d - e|^2 and |d - e|^2 <= 2 D_k + 2 |e_k|^2, obeys
     V_{k+1} <= V_k + h s_k |e_k|^2 - h d_k D_k,  s_k, d_k = (k+3)(k+4)/2 times k + 6, 3 k + 2.
   The estimator has E |e_{k+1}|^2 <= (1 - p_{k+1}) (E |e_k|^2 + D_k/b) and e_0 = e_1 = 0. So E [V_k + h m_k
   |e_k|^2] falls for m_k = b d_{k-1}/(1 - p_k) if (1 - p_k)(s_k + b d_k) <= b d_{k-1} for k >= 2. For p_k =
   4/(k+4), k <= sqrt m + 1, this is b (3 k - 2) >= k (k + 6): true, as b >= max(k - 1, 5) for m >= 17.
   Beyond, with p = 4/(u + 5), u = sqrt m < k - 1, it follows from u (3 k^2 + 10 k - 8) >= (u + 1)(k + 4)(k
   + 6), true for k >= 6. Start: with v = (x_0 - x_1)/h, V_1 <= 3 h |v|^2 (cocoercivity between x_0 and
   x_1), |v| <= L |x_0 - x*| without g; else |v|^2 <= 8/7 |x_0 - x*|^2/h^2, the map being 8/15-averaged.
   End: <r_k, x_k - x_0> >= -|r_k| |x_0 - x*|, so that a |r|^2 - B |r| R <= V_1 in mean square with a/B = h
   (k + 4)/4: |r| <= B R/a + V_1/(B R). */
NRX_DEF nrx_status nrx_opt_vr_halpern(nrx_opt_component_fn component, void *user, size_t components, size_t n,
    int dtype, double lip, const nrx_functional *g, void *x, const nrx_solve_desc *desc, nrx_solve_info *info)
{
    nrxi_solver s;
    nrx_rng rng;
    size_t k, batch;
    void *x0, *old, *F, *t, *gk;
    int full = 0;
    double eta, r, root = sqrt((double)components), p;
    nrx_status status = nrxi_opt_map_begin(
        &s, "nrx_opt_vr_halpern", component && x && components > 0, n, dtype, 5, desc, info);
    if (status != NRX_OK) return status;
    if (!(lip > 0.0))
        s.status = nrxi_fail(
            &s.d.env, NRX_E_ARG, "nrx_opt_vr_halpern: Lipschitz constant %g, expected > 0", lip);
    else s.status = nrxi_solver_check_functional(&s, g, n, 0, 1);
    if (s.status != NRX_OK) { nrxi_free(&s.d.env, s.memory); return s.status; }
    x0 = nrxi_solver_vector(&s, n);
    old = nrxi_solver_vector(&s, n);
    F = nrxi_solver_vector(&s, n);
    t = nrxi_solver_vector(&s, n);
    gk = nrxi_solver_vector(&s, n);
    nrx_rng_seed(&rng, s.d.seed, 0);
    eta = s.d.step > 0.0 ? s.d.step : 0.25 / lip;
    batch = (size_t)ceil(root);
    nrxi_vec_copy(n, dtype, x, x0);
    memset(gk, 0, n * nrxi_dtype_size(dtype));
    for (k = 0; k < s.d.max_iter; k++) {
        double lambda = 2.0 / (double)(k + 4);
        p = (double)k <= root + 1.0 ? 4.0 / (double)(k + 4) : 4.0 / (root + 5.0);
        if (k < 2 || components < 17 || nrx_rng_uniform(&rng) < p) full = 1;
        else {
            full = 0;
            if (nrxi_opt_vr_sum(
                    &s, component, user, 0, batch, components, &rng, n, x, old, t, F, 1.0 / (double)batch))
                break;
        }
        for (;; full = 1) { /* a second time when the estimate says that x is good enough */
            if (full) {
                memset(F, 0, n * nrxi_dtype_size(dtype));
                if (nrxi_opt_vr_sum(&s, component, user, 0, components, components, NULL, n, x, NULL, t, F,
                        1.0 / (double)components))
                    return nrxi_solver_end(&s);
            }
            if (g && k == 0) { /* no element of dg(x_0) is known: |x_0 - x_1| / h */
                nrxi_vec_lin(n, dtype, 1.0, x, -eta, F, t);
                if (nrxi_solver_prox(&s, g, eta, t, gk)) return nrxi_solver_end(&s);
                r = nrxi_vec_dist(n, dtype, x, gk) / eta;
            } else {
                nrxi_vec_lin(n, dtype, 1.0, F, 1.0, gk, t);
                r = nrxi_vec_norm(n, dtype, t);
            }
            if (full || !(r <= s.d.tol)) break;
        }
        if (!nrxi_finite_f64(&r)) { nrxi_solver_stop(&s, NRX_STOP_NUMERIC); break; }
        s.info->residual = r;
        if (r <= s.d.tol) { nrxi_solver_stop(&s, NRX_STOP_TOL); break; }
        nrxi_vec_copy(n, dtype, x, old);
        nrxi_vec_lin(n, dtype, lambda, x0, 1.0 - lambda, x, t);
        nrxi_vec_axpy(n, dtype, -eta, F, t);
        if (!g) nrxi_vec_copy(n, dtype, t, x);
        else {
            if (nrxi_solver_prox(&s, g, eta, t, x)) break;
            nrxi_vec_lin(n, dtype, 1.0 / eta, t, -1.0 / eta, x, gk);
        }
        if (nrxi_solver_report(&s, k + 1, r)) break;
    }
    return nrxi_solver_end(&s);
}

/* ---- stochastic PDHG ---- */

NRX_DEF nrx_status nrx_opt_spdhg(const nrx_linop *K, const nrx_functional *h, size_t blocks,
    const nrx_functional *g, void *x, const nrx_solve_desc *desc, nrx_solve_info *info)
{
    nrxi_solver s;
    nrx_rng rng;
    size_t n, i, k, q, rows = 0, most = 0, *at;
    int t;
    unsigned char *y;
    void *z, *zb, *xo, *dz, *v, *w;
    double *sigma, tau = HUGE_VAL, norm, p, r;
    nrx_status status = nrxi_opt_need3("nrx_opt_spdhg", desc, K && blocks ? K : NULL, h, x);
    if (status != NRX_OK) return status;
    n = K[0].cols;
    t = K[0].dtype;
    if ((status = nrxi_solver_begin(&s, "nrx_opt_spdhg", t, desc, info)) != NRX_OK ||
        (status = nrxi_solver_check_functional(&s, g, n, 0, 1)) != NRX_OK)
        return status;
    for (i = 0; i < blocks; i++) {
        if ((status = nrxi_solver_check_linop(&s, K + i, 0, 1)) != NRX_OK ||
            (status = nrxi_solver_check_functional(&s, h + i, K[i].rows, 0, 1)) != NRX_OK)
            return status;
        if (K[i].cols != n)
            return nrxi_fail(&s.d.env, NRX_E_SHAPE,
                "nrx_opt_spdhg: operator %zu has %zu columns, expected %zu", i, K[i].cols, n);
        if (!nrxi_add_ok(rows, K[i].rows, &rows))
            return nrxi_fail(&s.d.env, NRX_E_RANGE, "nrx_opt_spdhg: the rows overflow");
        most = nrxi_opt_max_size(most, K[i].rows);
    }
    if (blocks > (size_t)-1 / 64 || (status = nrxi_solver_room(&s, 4, n, 2, most)) != NRX_OK) return status;
    z = nrxi_solver_vector(&s, n);
    zb = nrxi_solver_vector(&s, n);
    xo = nrxi_solver_vector(&s, n);
    dz = nrxi_solver_vector(&s, n);
    v = nrxi_solver_vector(&s, most); w = nrxi_solver_vector(&s, most);
    y = (unsigned char *)nrxi_calloc(&s.d.env, rows + 1, 8);
    at = (size_t *)nrxi_alloc(&s.d.env, blocks, sizeof *at + sizeof *sigma);
    if (!y || !at) {
        nrxi_free(&s.d.env, y); nrxi_free(&s.d.env, at); nrxi_free(&s.d.env, s.memory);
        return nrxi_fail(&s.d.env, NRX_E_NOMEM, "nrx_opt_spdhg: no memory for %zu dual variables", rows);
    }
    sigma = (double *)(void *)(at + blocks);
    p = 1.0 / (double)blocks;
    for (i = 0, rows = 0; i < blocks && !s.info->stop; rows += K[i].rows, i++) {
        at[i] = rows;
        norm = K[i].norm;
        if (!(norm > 0.0)) { if (nrxi_solver_power(&s, K + i, 30, dz, v, &norm)) break; norm *= 1.05; }
        if (!(norm > 0.0)) norm = 1.0;
        sigma[i] = 0.99 / (norm * s.d.ratio);
        /* tau sigma_i |K_i|^2 < p_i */
        if (0.99 * p / norm * s.d.ratio < tau) tau = 0.99 * p / norm * s.d.ratio;
    }
    nrx_rng_seed(&rng, s.d.seed, 0);
    for (k = 1; k <= s.d.max_iter && !s.info->stop; k++) {
        r = 0.0;
        for (q = 0; q < blocks; q++) {
            size_t b = (size_t)nrx_rng_below(&rng, (uint64_t)blocks), size = nrxi_dtype_size(t);
            void *yb = y + at[b] * size;
            nrxi_vec_copy(n, t, x, xo);
            nrxi_vec_axpy(n, t, -tau, zb, x);
            if (g && nrxi_solver_prox(&s, g, tau, x, x)) break;
            nrxi_vec_clamp(n, t, x, &s.d);
            if (nrxi_solver_apply(&s, K + b, x, v)) break;
            nrxi_vec_lin(K[b].rows, t, 1.0 / sigma[b], yb, 1.0, v, v);
            if (nrxi_solver_prox(&s, h + b, 1.0 / sigma[b], v, w)) break;
            nrxi_vec_lin(K[b].rows, t, sigma[b], v, -sigma[b], w, w); /* the new y_b */
            nrxi_vec_lin(K[b].rows, t, 1.0, w, -1.0, yb, v);
            nrxi_vec_copy(K[b].rows, t, w, yb);
            if (nrxi_solver_adjoint(&s, K + b, v, dz)) break;
            nrxi_vec_axpy(n, t, 1.0, dz, z);
            nrxi_vec_lin(n, t, 1.0, z, 1.0 / p, dz, zb);
            norm = nrxi_vec_dist(n, t, x, xo);
            if (!nrxi_finite_f64(&norm)) {
                nrxi_vec_copy(n, t, xo, x);
                nrxi_solver_stop(&s, NRX_STOP_NUMERIC);
                break;
            }
            r += norm;
        }
        if (s.info->stop) break;
        norm = nrxi_vec_norm(n, t, x);
        s.info->residual = r / (norm > 0.0 ? norm : 1.0);
        if (nrxi_solver_report(&s, k, s.info->residual)) break;
        if (s.info->residual <= s.d.tol) { nrxi_solver_stop(&s, NRX_STOP_TOL); break; }
    }
    s.info->step = tau;
    nrxi_free(&s.d.env, y);
    nrxi_free(&s.d.env, at);
    return nrxi_solver_end(&s);
}

/* ---- entropic optimal transport ---- */

/* log sum exp over j of (g_j - C_ij)/eps (stride 1), or over i for a column (stride m) */
NRXI_FN double nrxi_opt_lse(size_t count, const double *c, size_t stride, const double *g, double eps)
{
    double top = -HUGE_VAL, s = 0.0;
    size_t j;
    for (j = 0; j < count; j++) { double v = (g[j] - c[j * stride]) / eps; if (v > top) top = v; }
    if (!(top > -1e300)) return top;
    for (j = 0; j < count; j++) s += exp((g[j] - c[j * stride]) / eps - top);
    return top + log(s);
}

/* Marginal errors of the plan of f, g: sum |P1 - r| + |P^T 1 - c|; P (may be NULL) and the row and column
   sums (may be NULL) are filled; *total = sum P. */
NRXI_FN double nrxi_opt_transport_plan(size_t n, size_t m, const double *C, const double *r, const double *c,
    double eps, const double *f, const double *g, double *P, double *rows, double *cols, double *total)
{
    double err = 0.0;
    size_t i, j;
    for (j = 0; j < m; j++) cols[j] = 0.0;
    *total = 0.0;
    for (i = 0; i < n; i++) {
        double s = 0.0;
        for (j = 0; j < m; j++) {
            double e = (f[i] + g[j] - C[i * m + j]) / eps, p = exp(e < 700.0 ? e : 700.0);
            if (P) P[i * m + j] = p;
            s += p;
            cols[j] += p;
        }
        if (rows) rows[i] = s;
        err += fabs(s - r[i]);
        *total += s;
    }
    for (j = 0; j < m; j++) err += fabs(cols[j] - c[j]);
    return err;
}

NRXI_FN nrx_status nrxi_opt_sinkhorn_check(const char *who, nrxi_solver *s, size_t n, size_t m,
    const double *C, const double *r, const double *c, double eps, const double *f, const double *g)
{
    size_t i, size;
    double a = 0.0, b = 0.0;
    if (!C || !r || !c || !f || !g || n == 0 || m == 0)
        return nrxi_fail(&s->d.env, NRX_E_ARG, "%s: a NULL array or no points (%zu, %zu)", who, n, m);
    if (!nrxi_mul_ok(n, m, &size) || size > (size_t)-1 / 64)
        return nrxi_fail(&s->d.env, NRX_E_RANGE, "%s: %zu x %zu points overflow", who, n, m);
    if (!(eps > 0.0) || !nrxi_finite_f64(&eps))
        return nrxi_fail(&s->d.env, NRX_E_ARG, "%s: epsilon %g, expected > 0", who, eps);
    if (!nrxi_all_finite(C, size, NRX_F64) || !nrxi_all_finite(f, n, NRX_F64) ||
        !nrxi_all_finite(g, m, NRX_F64))
        return nrxi_fail(&s->d.env, NRX_E_NUMERIC, "%s: the cost or a potential is not finite", who);
    for (i = 0; i < n; i++) {
        if (!(r[i] > 0.0))
            return nrxi_fail(&s->d.env, NRX_E_ARG, "%s: marginal r[%zu] = %g, expected > 0", who, i, r[i]);
        a += r[i];
    }
    for (i = 0; i < m; i++) {
        if (!(c[i] > 0.0))
            return nrxi_fail(&s->d.env, NRX_E_ARG, "%s: marginal c[%zu] = %g, expected > 0", who, i, c[i]);
        b += c[i];
    }
    if (!(fabs(a - b) <= 1e-9 * a))
        return nrxi_fail(&s->d.env, NRX_E_ARG, "%s: marginals sum to %g and %g", who, a, b);
    return NRX_OK;
}

/* One sweep: rows, then columns; afterwards the columns fit exactly. */
NRXI_FN void nrxi_opt_sinkhorn_sweep(
    size_t n, size_t m, const double *C, const double *r, const double *c, double eps, double *f, double *g)
{
    size_t i, j;
    for (i = 0; i < n; i++) f[i] = eps * (log(r[i]) - nrxi_opt_lse(m, C + i * m, 1, g, eps));
    for (j = 0; j < m; j++) g[j] = eps * (log(c[j]) - nrxi_opt_lse(n, C + j, m, f, eps));
}

NRXI_FN double nrxi_opt_sinkhorn_dual(size_t n, size_t m, const double *r, const double *c, double eps,
    const double *f, const double *g, double total)
{
    double v = 0.0, mass = 0.0;
    size_t i;
    for (i = 0; i < n; i++) { v += f[i] * r[i]; mass += r[i]; }
    for (i = 0; i < m; i++) v += g[i] * c[i];
    return v - eps * (total - mass);
}

NRX_DEF nrx_status nrx_opt_sinkhorn(size_t n, size_t m, const double *C, const double *r, const double *c,
    double eps, double *f, double *g, double *P, const nrx_solve_desc *desc, nrx_solve_info *info)
{
    nrxi_solver s;
    size_t k;
    double total, *cols;
    nrx_status status = nrxi_solver_begin(&s, "nrx_opt_sinkhorn", NRX_F64, desc, info);
    if (status != NRX_OK ||
        (status = nrxi_opt_sinkhorn_check("nrx_opt_sinkhorn", &s, n, m, C, r, c, eps, f, g)) != NRX_OK ||
        (status = nrxi_solver_room(&s, 1, m, 0, 0)) != NRX_OK)
        return status;
    cols = (double *)nrxi_solver_vector(&s, m);
    for (k = 1; k <= s.d.max_iter; k++) {
        nrxi_opt_sinkhorn_sweep(n, m, C, r, c, eps, f, g);
        s.info->residual = nrxi_opt_transport_plan(n, m, C, r, c, eps, f, g, NULL, NULL, cols, &total);
        if (!nrxi_finite_f64(&s.info->residual)) { nrxi_solver_stop(&s, NRX_STOP_NUMERIC); break; }
        if (nrxi_solver_report(&s, k, s.info->residual)) break;
        if (s.info->residual <= s.d.tol) { nrxi_solver_stop(&s, NRX_STOP_TOL); break; }
    }
    (void)nrxi_opt_transport_plan(n, m, C, r, c, eps, f, g, P, NULL, cols, &total);
    s.info->objective = nrxi_opt_sinkhorn_dual(n, m, r, c, eps, f, g, total);
    return nrxi_solver_end(&s);
}

/* Threshold that leaves about `keep` of the entries of P: bisection on the value. */
NRXI_FN double nrxi_opt_sparse_level(size_t count, const double *P, double keep)
{
    double lo = 0.0, hi = nrxi_la_max(count, P, 1);
    size_t i;
    int it;
    for (it = 0; it < 60; it++) {
        double mid = it < 40 && hi > 0.0 ? (lo > 0.0 ? sqrt(lo * hi) : hi * 1e-3) : 0.5 * (lo + hi);
        double above = 0.0;
        for (i = 0; i < count; i++) above += P[i] > mid;
        if (above > keep) lo = mid; else hi = mid;
        if (lo == 0.0 && hi < 1e-300) break;
    }
    return lo;
}

/* out = H d with H = [diag(rows) P; P^T diag(cols)], P cut at level */
NRXI_FN void nrxi_opt_sinkhorn_hessian(size_t n, size_t m, const double *P, double level, const double *rows,
    const double *cols, const double *d, double *out)
{
    size_t i, j;
    for (j = 0; j < m; j++) out[n + j] = cols[j] * d[n + j];
    for (i = 0; i < n; i++) {
        double s = 0.0, di = d[i];
        const double *p = P + i * m;
        for (j = 0; j < m; j++)
            if (p[j] > level) { s += p[j] * d[n + j]; out[n + j] += p[j] * di; }
        out[i] = rows[i] * di + s;
    }
}

NRX_DEF nrx_status nrx_opt_sinkhorn_newton(size_t n, size_t m, const double *C, const double *r,
    const double *c, double eps, double *f, double *g, double *P, const nrx_solve_desc *desc,
    nrx_solve_info *info)
{
    nrxi_solver s;
    size_t k, i, it, N = n + m, sweeps = desc && desc->memory ? desc->memory : 20;
    double total, *rows, *cols, *plan, *grad, *d, *q, *res, *pre, *trial, dual,
        sparse = desc ? desc->ratio : 0.0;
    nrx_status status = nrxi_solver_begin(&s, "nrx_opt_sinkhorn_newton", NRX_F64, desc, info);
    if (status != NRX_OK ||
        (status = nrxi_opt_sinkhorn_check("nrx_opt_sinkhorn_newton", &s, n, m, C, r, c, eps, f, g)) !=
            NRX_OK ||
        (status = nrxi_solver_room(&s, 8, N, 1, n * m)) != NRX_OK)
        return status;
    rows = (double *)nrxi_solver_vector(&s, N); cols = rows + n;
    grad = (double *)nrxi_solver_vector(&s, N);
    d = (double *)nrxi_solver_vector(&s, N);
    q = (double *)nrxi_solver_vector(&s, N);
    res = (double *)nrxi_solver_vector(&s, N);
    pre = (double *)nrxi_solver_vector(&s, N);
    trial = (double *)nrxi_solver_vector(&s, N);
    plan = (double *)nrxi_solver_vector(&s, n * m);
    for (k = 1; k <= s.d.max_iter; k++) {
        if (k <= sweeps) {
            nrxi_opt_sinkhorn_sweep(n, m, C, r, c, eps, f, g);
            s.info->residual = nrxi_opt_transport_plan(n, m, C, r, c, eps, f, g, plan, rows, cols, &total);
        } else {
            double level = sparse > 0.0
                               ? nrxi_opt_sparse_level(n * m, plan, sparse * (double)nrxi_opt_max_size(n, m))
                               : -1.0,
                   rr = 0.0, dq, next, a, slope = 0.0, want;
            s.info->restarts++;
            for (i = 0; i < n; i++) grad[i] = eps * (r[i] - rows[i]);
            for (i = 0; i < m; i++) grad[n + i] = eps * (c[i] - cols[i]);
            /* rounding along the null vector */
            for (next = 0.0, i = 0; i < N; i++) next += (i < n ? grad[i] : -grad[i]) / (double)N;
            for (i = 0; i < N; i++) grad[i] -= i < n ? next : -next;
            /* H d = grad (scaled by eps), Jacobi-preconditioned CG; H is singular along (1, -1), to which
               grad is orthogonal */
            for (i = 0; i < N; i++) {
                d[i] = 0.0;
                res[i] = grad[i];
                pre[i] = res[i] / rows[i];
                q[i] = 0.0;
                rr += res[i] * pre[i];
            }
            memcpy(trial, pre, N * sizeof *pre); /* search direction */
            want = 1e-24 * rr; /* |residual| 1e-12 of the gradient: Newton's quadratic tail needs it */
            for (it = 0; it < 20 * N && rr > want; it++) {
                nrxi_opt_sinkhorn_hessian(n, m, plan, level, rows, cols, trial, q);
                for (dq = 0.0, i = 0; i < N; i++) dq += trial[i] * q[i];
                if (!(dq > 0.0)) break;
                for (next = 0.0, i = 0; i < N; i++) {
                    d[i] += rr / dq * trial[i];
                    res[i] -= rr / dq * q[i];
                    pre[i] = res[i] / rows[i];
                    next += res[i] * pre[i];
                }
                for (i = 0; i < N; i++) trial[i] = pre[i] + next / rr * trial[i];
                rr = next;
                s.info->applies++;
            }
            dual = nrxi_opt_sinkhorn_dual(n, m, r, c, eps, f, g, total);
            for (i = 0; i < N; i++) slope += grad[i] / eps * d[i];
            for (a = 1.0, it = 0; it < 60; it++, a *= 0.5) {
                double t2, dual2, err;
                for (i = 0; i < n; i++) trial[i] = f[i] + a * d[i];
                for (i = 0; i < m; i++) trial[n + i] = g[i] + a * d[n + i];
                err = nrxi_opt_transport_plan(n, m, C, r, c, eps, trial, trial + n, plan, rows, cols, &t2);
                dual2 = nrxi_opt_sinkhorn_dual(n, m, r, c, eps, trial, trial + n, t2);
                if (nrxi_finite_f64(&err) && (dual2 >= dual + 1e-4 * a * slope - 4.0 * s.eps * fabs(dual) ||
                                                 err < 0.5 * s.info->residual)) {
                    total = t2;
                    s.info->residual = err;
                    break;
                }
            }
            if (it >= 60) {
                (void)nrxi_opt_transport_plan(n, m, C, r, c, eps, f, g, plan, rows, cols, &total);
                nrxi_solver_stop(&s, NRX_STOP_STALLED);
                break;
            }
            memcpy(f, trial, n * sizeof *f);
            memcpy(g, trial + n, m * sizeof *g);
        }
        if (!nrxi_finite_f64(&s.info->residual)) { nrxi_solver_stop(&s, NRX_STOP_NUMERIC); break; }
        if (nrxi_solver_report(&s, k, s.info->residual)) break;
        if (s.info->residual <= s.d.tol) { nrxi_solver_stop(&s, NRX_STOP_TOL); break; }
    }
    if (P) memcpy(P, plan, n * m * sizeof *P);
    s.info->objective = nrxi_opt_sinkhorn_dual(n, m, r, c, eps, f, g, total);
    return nrxi_solver_end(&s);
}

/* ==== proximal operators ==== */

NRXI_FN double nrxi_opt_get(int dtype, const void *x, size_t i)
{
    return dtype == NRX_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}
NRXI_FN void nrxi_opt_put_value(int dtype, void *x, size_t i, double v)
{
    if (dtype == NRX_F32) ((float *)x)[i] = (float)v;
    else ((double *)x)[i] = v;
}
NRXI_FN double nrxi_opt_soft(double v, double t) { return v > t ? v - t : v < -t ? v + t : 0.0; }

/* y > 0 with y + log(y) = z, by Newton: the entropy's prox without overflow. */
NRXI_FN double nrxi_opt_wright(double z)
{
    double y = z > 1.0 ? z - log(z) : exp(z < -700.0 ? -700.0 : z) / (1.0 + exp(z < -700.0 ? -700.0 : z)),
           step;
    int i;
    if (z < -37.0) return exp(z);
    for (i = 0; i < 30; i++) {
        step = (y + log(y) - z) * y / (1.0 + y);
        if (step >= y) step = 0.5 * y;
        y -= step;
        if (fabs(step) <= 1e-16 * y) break;
    }
    return y;
}

/* prox of one entry of a separable kind; t = tau * weight, d = data entry */
NRXI_FN double nrxi_opt_reg_prox1(const nrx_opt_reg *r, double t, double v, double d)
{
    double m = fabs(v), s, phi;
    switch (r->kind) {
    case NRX_REG_L1: return nrxi_opt_soft(v, t);
    case NRX_REG_L2_SQUARED: return (v + t * d) / (1.0 + t);
    case NRX_REG_ELASTIC: return nrxi_opt_soft(v, t) / (1.0 + t * r->a);
    case NRX_REG_HUBER: return v * (1.0 - t / (m > t + r->a ? m : t + r->a));
    case NRX_REG_KL: s = v - t; return 0.5 * (s + sqrt(s * s + 4.0 * t * d));
    case NRX_REG_LOG: return 0.5 * (v + sqrt(v * v + 4.0 * t));
    case NRX_REG_ENTROPY: return t * nrxi_opt_wright(v / t - 1.0 - log(t));
    case NRX_REG_BOX: return v < r->a ? r->a : v > r->b ? r->b : v;
    case NRX_REG_NONNEGATIVE: return v > 0.0 ? v : 0.0;
    case NRX_REG_LINF_BALL: s = r->a > 0.0 ? r->a : 1.0; return v < -s ? -s : v > s ? s : v;
    case NRX_REG_L0: return m > sqrt(2.0 * t) ? v : 0.0;
    case NRX_REG_L_HALF: /* threshold 54^(1/3)/4 (2 t)^(2/3); above it the trigonometric root */
        if (m <= cbrt(54.0) / 4.0 * pow(2.0 * t, 2.0 / 3.0)) return 0.0;
        phi = acos(t / 4.0 * pow(m / 3.0, -1.5));
        return 2.0 / 3.0 * v * (1.0 + cos(2.0 / 3.0 * (NRX_PI - phi)));
    case NRX_REG_MCP:
        return r->a > t / r->weight && m <= r->a * r->weight
                   ? nrxi_opt_soft(v, t) * (r->a / (r->a - t / r->weight))
                   : v;
    default: return v;
    }
}
NRXI_FN double nrxi_opt_reg_value1(const nrx_opt_reg *r, double x, double d)
{
    double m = fabs(x);
    switch (r->kind) {
    case NRX_REG_L1: return m;
    case NRX_REG_L2_SQUARED: return 0.5 * (x - d) * (x - d);
    case NRX_REG_ELASTIC: return m + 0.5 * r->a * x * x;
    case NRX_REG_HUBER: return m <= r->a ? x * x / (2.0 * r->a) : m - 0.5 * r->a;
    case NRX_REG_KL:
        return d > 0.0 ? (x > 0.0 ? x - d * log(x) + d * log(d) - d : HUGE_VAL) : x >= 0.0 ? x : HUGE_VAL;
    case NRX_REG_LOG: return x > 0.0 ? -log(x) : HUGE_VAL;
    case NRX_REG_ENTROPY: return x > 0.0 ? x * log(x) : x == 0.0 ? 0.0 : HUGE_VAL;
    /* a bound rounded to f32 is inside */
    case NRX_REG_BOX: return x >= r->a - 1e-7 * fabs(r->a) && x <= r->b + 1e-7 * fabs(r->b) ? 0.0 : HUGE_VAL;
    case NRX_REG_NONNEGATIVE: return x >= 0.0 ? 0.0 : HUGE_VAL;
    case NRX_REG_LINF_BALL: return m <= (r->a > 0.0 ? r->a : 1.0) * (1.0 + 1e-6) ? 0.0 : HUGE_VAL;
    case NRX_REG_L0: return x != 0.0;
    case NRX_REG_L_HALF: return sqrt(m);
    case NRX_REG_MCP:
        return m <= r->a * r->weight ? m - x * x / (2.0 * r->a * r->weight) : 0.5 * r->a * r->weight;
    default: return 0.0;
    }
}
NRXI_FN int nrxi_opt_reg_separable(int kind)
{
    return kind == NRX_REG_L1 || kind == NRX_REG_L2_SQUARED ||
           (kind >= NRX_REG_ELASTIC && kind <= NRX_REG_NONNEGATIVE) || kind == NRX_REG_LINF_BALL ||
           (kind >= NRX_REG_L0 && kind <= NRX_REG_MCP);
}

/* theta with sum max(u - theta, 0) = radius for the absolute values (or values) u of x, by bisection to
   the last bit and one exact step. */
NRXI_FN double nrxi_opt_simplex_level(
    int dtype, size_t n, const void *x, int absolute, double scale, double radius)
{
    double lo, hi = -HUGE_VAL, s;
    size_t i, count;
    int it;
    for (i = 0; i < n; i++) {
        s = scale * nrxi_opt_get(dtype, x, i);
        if (absolute) s = fabs(s);
        if (s > hi) hi = s;
    }
    lo = hi - radius;
    for (it = 0; it < 60 && lo < hi; it++) {
        double mid = 0.5 * (lo + hi), sum = 0.0;
        for (i = 0; i < n; i++) {
            s = scale * nrxi_opt_get(dtype, x, i);
            if (absolute) s = fabs(s);
            if (s > mid) sum += s - mid;
        }
        if (sum > radius) lo = mid; else hi = mid;
    }
    for (s = 0.0, count = 0, i = 0; i < n; i++) {
        double u = scale * nrxi_opt_get(dtype, x, i);
        if (absolute) u = fabs(u);
        if (u > lo) {
            s += u;
            count++;
        }
    }
    return count ? (s - radius) / (double)count : lo;
}

/* Total variation of a line by dynamic programming: the derivative of each message is piecewise linear;
   its knots live in a deque (Johnson 2013). */
NRXI_FN nrx_status nrxi_opt_tv_line(
    int dtype, size_t n, const void *y, double lambda, void *x, const nrx_env *env)
{
    double *mem, *knot, *slope, *offset, *low, *high, a0, b0, a1, b1, beta;
    size_t k, l, r;
    if (n < 2 || !(lambda > 0.0)) { nrxi_vec_copy(n, dtype, y, x); return NRX_OK; }
    if (n > (size_t)-1 / 128 || !(mem = (double *)nrxi_alloc(env, 8 * n + 8, sizeof(double))))
        return NRX_E_NOMEM;
    knot = mem;
    slope = knot + 2 * n + 2;
    offset = slope + 2 * n + 2;
    low = offset + 2 * n + 2;
    high = low + n;
    low[0] = nrxi_opt_get(dtype, y, 0) - lambda;
    high[0] = nrxi_opt_get(dtype, y, 0) + lambda;
    l = n; r = n + 1;
    knot[l] = low[0];  slope[l] = 1.0;  offset[l] = -low[0];
    knot[r] = high[0]; slope[r] = -1.0; offset[r] = high[0];
    for (k = 1;; k++) { /* derivative: a0 x + b0 left of all knots, slope and offset change at each */
        double yk = nrxi_opt_get(dtype, y, k);
        size_t i, j;
        a0 = 1.0; b0 = -yk - lambda;
        a1 = 1.0; b1 = -yk + lambda;
        if (k + 1 == n) {
            for (i = l; i <= r && a0 * knot[i] + b0 <= 0.0; i++) { a0 += slope[i]; b0 += offset[i]; }
            beta = -b0 / a0;
            break;
        }
        for (i = l; i <= r && a0 * knot[i] + b0 <= -lambda; i++) { a0 += slope[i]; b0 += offset[i]; }
        for (j = r + 1; j > i && a1 * knot[j - 1] + b1 >= lambda; j--) {
            a1 -= slope[j - 1];
            b1 -= offset[j - 1];
        }
        low[k] = (-lambda - b0) / a0;
        high[k] = (lambda - b1) / a1;
        l = i - 1;
        r = j;
        knot[l] = low[k];  slope[l] = a0;  offset[l] = b0 + lambda;
        knot[r] = high[k]; slope[r] = -a1; offset[r] = -b1 + lambda;
    }
    nrxi_opt_put_value(dtype, x, n - 1, beta);
    for (k = n - 1; k-- > 0;) {
        if (beta < low[k]) beta = low[k];
        if (beta > high[k]) beta = high[k];
        nrxi_opt_put_value(dtype, x, k, beta);
    }
    nrxi_free(env, mem);
    return NRX_OK;
}

/* x = v - M^T (M M^T)^-1 (M v - d) */
NRXI_FN nrx_status nrxi_opt_reg_affine(const nrx_opt_reg *r, const void *v, void *x)
{
    size_t m = r->rows, n = r->n, i, j;
    double *gram = (double *)nrxi_alloc(&r->env, m * m + m, sizeof(double)), *res;
    nrx_status status;
    if (!gram) return NRX_E_NOMEM;
    res = gram + m * m;
    for (i = 0; i < m; i++) {
        for (j = 0; j <= i; j++)
            gram[i * m + j] = nrxi_vec_dot(n, NRX_F64, r->matrix + i * n, r->matrix + j * n);
        for (res[i] = -((const double *)r->data)[i], j = 0; j < n; j++)
            res[i] += r->matrix[i * n + j] * nrxi_opt_get(r->dtype, v, j);
    }
    status = nrxi_cholesky(m, gram, m);
    if (status == NRX_OK) status = nrxi_cholesky_solve(m, gram, m, res, 1);
    if (status == NRX_OK)
        for (j = 0; j < n; j++) {
            double s = nrxi_opt_get(r->dtype, v, j);
            for (i = 0; i < m; i++) s -= r->matrix[i * n + j] * res[i];
            nrxi_opt_put_value(r->dtype, x, j, s);
        }
    nrxi_free(&r->env, gram);
    return status;
}

/* Groups: `count` groups of `size` entries, entry q of group i at i*gs + q*qs. */
NRXI_FN void nrxi_opt_reg_groups(const nrx_opt_reg *r, size_t *count, size_t *size, size_t *gs, size_t *qs)
{
    if (r->kind == NRX_REG_GROUP_PLANES) {
        *size = r->group ? r->group : 2;
        *count = r->n / *size;
        *gs = 1;
        *qs = *count;
    } else {
        *size = r->group ? r->group : 1;
        *count = r->n / *size;
        *gs = *size;
        *qs = 1;
    }
}

NRXI_FN nrx_status nrxi_opt_reg_prox(void *user, double tau, const void *v, void *x)
{
    const nrx_opt_reg *r = (const nrx_opt_reg *)user;
    double t = tau * r->weight, s, level;
    size_t i, q, count, size, gs, qs, n = r->n;
    int dt = r->dtype;
    if (!(tau > 0.0) || n == 0)
        return nrxi_fail(&r->env, NRX_E_ARG, "nrx_opt_functional: prox with tau %g on %zu entries", tau, n);
    if (nrxi_opt_reg_separable(r->kind)) {
        for (i = 0; i < n; i++)
            nrxi_opt_put_value(dt, x, i,
                nrxi_opt_reg_prox1(
                    r, t, nrxi_opt_get(dt, v, i), r->data ? nrxi_opt_get(dt, r->data, i) : 0.0));
        return NRX_OK;
    }
    switch (r->kind) {
    case NRX_REG_L2:
        s = nrxi_vec_norm(n, dt, v);
        nrxi_vec_lin(n, dt, s > t ? 1.0 - t / s : 0.0, v, 0.0, v, x);
        return NRX_OK;
    case NRX_REG_LINF: /* v - projection onto the l1 ball of radius t: clamp at the level */
        for (s = 0.0, i = 0; i < n; i++) s += fabs(nrxi_opt_get(dt, v, i));
        level = s <= t ? 0.0 : nrxi_opt_simplex_level(dt, n, v, 1, 1.0, t);
        for (i = 0; i < n; i++) {
            double u = nrxi_opt_get(dt, v, i);
            nrxi_opt_put_value(dt, x, i, u > level ? level : u < -level ? -level : u);
        }
        return NRX_OK;
    case NRX_REG_GROUP_L1:
    case NRX_REG_GROUP_PLANES:
        nrxi_opt_reg_groups(r, &count, &size, &gs, &qs);
        for (i = 0; i < count; i++) {
            for (s = 0.0, q = 0; q < size; q++) {
                double u = nrxi_opt_get(dt, v, i * gs + q * qs);
                s += u * u;
            }
            s = sqrt(s);
            s = s > t ? 1.0 - t / s : 0.0;
            for (q = 0; q < size; q++)
                nrxi_opt_put_value(dt, x, i * gs + q * qs, s * nrxi_opt_get(dt, v, i * gs + q * qs));
        }
        return NRX_OK;
    case NRX_REG_SIMPLEX:
        level = nrxi_opt_simplex_level(dt, n, v, 0, 1.0, r->a > 0.0 ? r->a : 1.0);
        for (i = 0; i < n; i++) {
            s = nrxi_opt_get(dt, v, i) - level;
            nrxi_opt_put_value(dt, x, i, s > 0.0 ? s : 0.0);
        }
        return NRX_OK;
    case NRX_REG_L1_BALL:
        for (s = 0.0, i = 0; i < n; i++) s += fabs(nrxi_opt_get(dt, v, i));
        level = r->a > 0.0 ? r->a : 1.0;
        level = s <= level ? 0.0 : nrxi_opt_simplex_level(dt, n, v, 1, 1.0, level);
        for (i = 0; i < n; i++) nrxi_opt_put_value(dt, x, i, nrxi_opt_soft(nrxi_opt_get(dt, v, i), level));
        return NRX_OK;
    case NRX_REG_L2_BALL:
        level = r->a > 0.0 ? r->a : 1.0;
        s = r->data ? nrxi_vec_dist(n, dt, v, r->data) : nrxi_vec_norm(n, dt, v);
        s = s > level ? level / s : 1.0;
        if (r->data) nrxi_vec_lin(n, dt, s, v, 1.0 - s, r->data, x);
        else nrxi_vec_lin(n, dt, s, v, 0.0, v, x);
        return NRX_OK;
    case NRX_REG_NUCLEAR: return nrx_opt_svt(dt, r->rows, r->cols, v, t, x, NULL, &r->env);
    case NRX_REG_RANK: {
        double *base, *sv, *u, *vt;
        nrx_status status = nrxi_opt_thin_svd(
            "nrx_opt_functional", dt, r->rows, r->cols, v, &base, &sv, &u, &vt, &r->env);
        if (status != NRX_OK) return status;
        for (i = (size_t)(r->a > 0.0 ? r->a : 0.0); i < nrxi_opt_min_size(r->rows, r->cols); i++) sv[i] = 0.0;
        nrxi_opt_svd_rebuild(dt, r->rows, r->cols, sv, u, vt, base, x, &r->env);
        nrxi_free(&r->env, base);
        return NRX_OK;
    }
    case NRX_REG_AFFINE: return nrxi_opt_reg_affine(r, v, x);
    case NRX_REG_TV_1D: return nrxi_opt_tv_line(dt, n, v, t, x, &r->env);
    case NRX_REG_TV_2D: {
        nrx_solve_desc d = NRX_ZERO;
        d.tol = r->tol > 0.0 ? r->tol : 1e-6;
        d.max_iter = 5000;
        d.env = r->env;
        d.env.progress = NULL;
        return nrx_opt_tv_denoise(dt, r->rows, r->cols, v, t, x, &d, NULL);
    }
    default: return nrxi_fail(&r->env, NRX_E_ARG, "nrx_opt_functional: kind %d, expected NRX_REG_*", r->kind);
    }
}

NRXI_FN nrx_status nrxi_opt_reg_eval(void *user, const void *x, double *value, void *grad)
{
    const nrx_opt_reg *r = (const nrx_opt_reg *)user;
    double sum = 0.0, s, top;
    size_t i, q, count, size, gs, qs, n = r->n;
    int dt = r->dtype;
    if (grad) {
        if (r->kind != NRX_REG_L2_SQUARED && r->kind != NRX_REG_HUBER)
            return nrxi_fail(
                &r->env, NRX_E_UNSUPPORTED, "nrx_opt_functional: kind %d has no gradient", r->kind);
        for (i = 0; i < n; i++) {
            s = nrxi_opt_get(dt, x, i);
            if (r->kind == NRX_REG_L2_SQUARED) s -= r->data ? nrxi_opt_get(dt, r->data, i) : 0.0;
            else s = fabs(s) <= r->a ? s / r->a : s > 0.0 ? 1.0 : -1.0;
            nrxi_opt_put_value(dt, grad, i, r->weight * s);
        }
    }
    if (!value) return NRX_OK;
    if (nrxi_opt_reg_separable(r->kind))
        for (i = 0; i < n; i++)
            sum += nrxi_opt_reg_value1(
                r, nrxi_opt_get(dt, x, i), r->data ? nrxi_opt_get(dt, r->data, i) : 0.0);
    else switch (r->kind) {
    case NRX_REG_L2: sum = nrxi_vec_norm(n, dt, x); break;
    case NRX_REG_LINF:
        for (i = 0; i < n; i++) {
            s = fabs(nrxi_opt_get(dt, x, i));
            if (s > sum) sum = s;
        }
        break;
    case NRX_REG_GROUP_L1:
    case NRX_REG_GROUP_PLANES:
        nrxi_opt_reg_groups(r, &count, &size, &gs, &qs);
        for (i = 0; i < count; i++) {
            for (s = 0.0, q = 0; q < size; q++) {
                double u = nrxi_opt_get(dt, x, i * gs + q * qs);
                s += u * u;
            }
            sum += sqrt(s);
        }
        break;
    case NRX_REG_SIMPLEX:
    case NRX_REG_L1_BALL:
        for (s = 0.0, top = 0.0, i = 0; i < n; i++) {
            double u = nrxi_opt_get(dt, x, i);
            s += r->kind == NRX_REG_SIMPLEX ? u : fabs(u);
            if (u < top) top = u;
        }
        q = r->kind == NRX_REG_SIMPLEX ? fabs(s - (r->a > 0.0 ? r->a : 1.0)) <= 1e-5 * s && top >= 0.0
                                       : s <= (r->a > 0.0 ? r->a : 1.0) * (1.0 + 1e-5);
        sum = q ? 0.0 : HUGE_VAL;
        break;
    case NRX_REG_L2_BALL:
        sum = (r->data ? nrxi_vec_dist(n, dt, x, r->data) : nrxi_vec_norm(n, dt, x)) <=
                      (r->a > 0.0 ? r->a : 1.0) * (1.0 + 1e-5)
                  ? 0.0
                  : HUGE_VAL;
        break;
    case NRX_REG_NUCLEAR: {
        double *base, *sv, *u, *vt;
        nrx_status status = nrxi_opt_thin_svd(
            "nrx_opt_functional", dt, r->rows, r->cols, x, &base, &sv, &u, &vt, &r->env);
        if (status != NRX_OK) return status;
        for (i = 0; i < nrxi_opt_min_size(r->rows, r->cols); i++) sum += sv[i];
        nrxi_free(&r->env, base);
        break;
    }
    case NRX_REG_TV_1D:
        for (i = 0; i + 1 < n; i++) sum += fabs(nrxi_opt_get(dt, x, i + 1) - nrxi_opt_get(dt, x, i));
        break;
    case NRX_REG_TV_2D:
        for (i = 0; i < r->rows; i++)
            for (q = 0; q < r->cols; q++) {
                double c = nrxi_opt_get(dt, x, i * r->cols + q),
                       dx = q + 1 < r->cols ? nrxi_opt_get(dt, x, i * r->cols + q + 1) - c : 0.0;
                double dy = i + 1 < r->rows ? nrxi_opt_get(dt, x, (i + 1) * r->cols + q) - c : 0.0;
                sum += sqrt(dx * dx + dy * dy);
            }
        break;
    default: sum = 0.0; break; /* affine, rank: not tested */
    }
    *value = sum >= HUGE_VAL ? HUGE_VAL : sum * r->weight;
    return NRX_OK;
}

NRX_DEF nrx_functional nrx_opt_functional(nrx_opt_reg *r)
{
    nrx_functional f = NRX_ZERO;
    int bad, matrix;
    if (!r) { (void)nrxi_fail(NULL, NRX_E_ARG, "nrx_opt_functional: reg is NULL"); return f; }
    if (r->weight == 0.0) r->weight = 1.0;
    if ((r->kind == NRX_REG_HUBER || r->kind == NRX_REG_MCP) && r->a == 0.0)
        r->a = r->kind == NRX_REG_MCP ? 3.0 : 1.0;
    matrix = r->kind == NRX_REG_NUCLEAR || r->kind == NRX_REG_RANK || r->kind == NRX_REG_TV_2D;
    bad = r->kind < NRX_REG_L1 || r->kind > NRX_REG_GROUP_PLANES ||
          (r->dtype != NRX_F32 && r->dtype != NRX_F64) || !(r->weight > 0.0) ||
          (matrix && (r->cols == 0 || r->n / r->cols != r->rows || r->n % r->cols)) ||
          (r->kind == NRX_REG_KL && !r->data) ||
          (r->kind == NRX_REG_AFFINE &&
              (!r->data || !r->matrix || r->rows > r->n || (r->n && r->rows > (size_t)-1 / 64 / r->n))) ||
          ((r->kind == NRX_REG_GROUP_L1 || r->kind == NRX_REG_GROUP_PLANES) && r->group > 0 &&
              r->n % r->group);
    if (bad) {
        (void)nrxi_fail(&r->env, NRX_E_ARG,
            "nrx_opt_functional: kind %d, dtype %d, n %zu, rows %zu, cols %zu, group %zu, weight %g: not a functional",
            r->kind, r->dtype, r->n, r->rows, r->cols, r->group, r->weight);
        return f;
    }
    f.eval = nrxi_opt_reg_eval; f.prox = nrxi_opt_reg_prox; f.user = r; f.n = r->n; f.dtype = r->dtype;
    f.convexity = r->kind == NRX_REG_MCP ? NRX_WEAKLY_CONVEX
                  : r->kind == NRX_REG_L0 || r->kind == NRX_REG_L_HALF || r->kind == NRX_REG_RANK
                      ? 0
                      : NRX_CONVEX;
    if (r->kind == NRX_REG_L2_SQUARED) f.mu = f.lip = r->weight;
    if (r->kind == NRX_REG_HUBER) f.lip = r->weight / r->a;
    if (r->kind == NRX_REG_ELASTIC) f.mu = r->weight * r->a;
    if (r->kind == NRX_REG_MCP) f.rho = 1.0 / r->a;
    return f;
}

NRX_DEF nrx_status nrx_opt_prox_conjugate(
    const nrx_functional *f, double sigma, const void *v, void *x, void *workspace)
{
    void *p = workspace ? workspace : x;
    nrx_status status;
    if (!f || !f->prox || !v || !x || !(sigma > 0.0) || (x == v && !workspace))
        return nrxi_fail(NULL, NRX_E_ARG,
            "nrx_opt_prox_conjugate: needs a prox, sigma > 0 (%g), and a workspace when x is v", sigma);
    nrxi_vec_lin(f->n, f->dtype, 1.0 / sigma, v, 0.0, v, p);
    status = f->prox(f->user, 1.0 / sigma, p, p);
    if (status == NRX_OK) nrxi_vec_lin(f->n, f->dtype, 1.0, v, -sigma, p, x);
    return status;
}

/* ---- total variation denoising ---- */

/* >>> twin f64 */
/* Row i of u = f + div q; q above may be NULL (first row). div is minus the adjoint of the forward
   difference. last: no difference below. */
NRXI_FN void nrxi_opt_tv_primal_f64(size_t w, const double *NRX_RESTRICT f, const double *NRX_RESTRICT qx,
    const double *NRX_RESTRICT qy, const double *NRX_RESTRICT above, double *NRX_RESTRICT u)
{
    size_t j;
    u[0] = f[0] + qx[0] + qy[0];
    for (j = 1; j < w; j++) u[j] = f[j] + (qx[j] - qx[j - 1]) + qy[j];
    if (above) for (j = 0; j < w; j++) u[j] -= above[j];
}
/* Row of p+ = projection onto |p| <= lambda of q + step grad u, then q = p+ + beta (p+ - p), p = p+. below
   may be NULL (last row). Returns <q - p+, p+ - p>: positive when the momentum points uphill. */
NRXI_FN nrxi_sum nrxi_opt_tv_dual_f64(size_t w, size_t from, const double *u, const double *below,
    double step, double lambda, double beta, double *NRX_RESTRICT px, double *NRX_RESTRICT py,
    double *NRX_RESTRICT qx, double *NRX_RESTRICT qy)
{
    nrxi_sum turn = 0.0;
    size_t j;
    for (j = from; j < w; j++) {
        double a = j + 1 < w ? qx[j] + step * (u[j + 1] - u[j]) : (double)0,
               b = below ? qy[j] + step * (below[j] - u[j]) : (double)0;
        double n = sqrt(a * a + b * b), s = n > lambda ? lambda / n : (double)1;
        a *= s;
        b *= s;
        turn += (nrxi_sum)((qx[j] - a) * (a - px[j]) + (qy[j] - b) * (b - py[j]));
        qx[j] = a + beta * (a - px[j]);
        qy[j] = b + beta * (b - py[j]);
        px[j] = a;
        py[j] = b;
    }
    return turn;
}
/* The same without momentum, for PDHG: q = projection of q + step grad u; each array is read and written
   once. */
NRXI_FN void nrxi_opt_tv_ascend_f64(size_t w, size_t from, const double *u, const double *below, double step,
    double lambda, double *NRX_RESTRICT qx, double *NRX_RESTRICT qy)
{
    size_t j;
    for (j = from; j < w; j++) {
        double a = j + 1 < w ? qx[j] + step * (u[j + 1] - u[j]) : (double)0,
               b = below ? qy[j] + step * (below[j] - u[j]) : (double)0;
        double n = sqrt(a * a + b * b), s = n > lambda ? lambda / n : (double)1;
        qx[j] = a * s;
        qy[j] = b * s;
    }
}
/* A row of 1/2 |u - f|^2 + lambda sum |grad u|, and of 1/2 |t - f|^2 + <f, t - f> with t = f + div p
   (minus the dual value). */
NRXI_FN nrxi_sum nrxi_opt_tv_primal_value_f64(
    size_t w, const double *f, const double *u, const double *below, nrxi_sum lambda)
{
    nrxi_sum data = 0.0, tv = 0.0;
    size_t j;
    for (j = 0; j < w; j++) {
        nrxi_sum e = (nrxi_sum)u[j] - (nrxi_sum)f[j],
                 a = j + 1 < w ? (nrxi_sum)u[j + 1] - (nrxi_sum)u[j] : 0.0,
                 b = below ? (nrxi_sum)below[j] - (nrxi_sum)u[j] : 0.0;
        data += 0.5 * e * e;
        tv += nrxi_adam_root(a * a + b * b);
    }
    return data + lambda * tv;
}
NRXI_FN nrxi_sum nrxi_opt_tv_dual_value_f64(size_t w, const double *f, const double *t)
{
    nrxi_sum s = 0.0, e;
    size_t j;
    for (j = 0; j < w; j++) { e = (nrxi_sum)t[j] - (nrxi_sum)f[j]; s += (0.5 * e + (nrxi_sum)f[j]) * e; }
    return s;
}
/* PDHG primal row: u+ = (u + tau (f + div p)) / (1 + tau), bar = u+ + theta (u+ - u). t holds f + div p. */
NRXI_FN void nrxi_opt_tv_relax_f64(
    size_t w, const double *t, double tau, double theta, double *NRX_RESTRICT u, double *NRX_RESTRICT bar)
{
    const double s = (double)1 / ((double)1 + tau);
    size_t j;
    for (j = 0; j < w; j++) {
        double old = u[j], v = (old + tau * t[j]) * s;
        u[j] = v;
        bar[j] = v + theta * (v - old);
    }
}
/* === twin f32 */
/* Row i of u = f + div q; q above may be NULL (first row). div is minus the adjoint of the forward
   difference. last: no difference below. */
NRXI_FN void nrxi_opt_tv_primal_f32(size_t w, const float *NRX_RESTRICT f, const float *NRX_RESTRICT qx,
    const float *NRX_RESTRICT qy, const float *NRX_RESTRICT above, float *NRX_RESTRICT u)
{
    size_t j;
    u[0] = f[0] + qx[0] + qy[0];
    for (j = 1; j < w; j++) u[j] = f[j] + (qx[j] - qx[j - 1]) + qy[j];
    if (above) for (j = 0; j < w; j++) u[j] -= above[j];
}
/* Row of p+ = projection onto |p| <= lambda of q + step grad u, then q = p+ + beta (p+ - p), p = p+. below
   may be NULL (last row). Returns <q - p+, p+ - p>: positive when the momentum points uphill. */
NRXI_FN nrxi_sum nrxi_opt_tv_dual_f32(size_t w, size_t from, const float *u, const float *below,
    float step, float lambda, float beta, float *NRX_RESTRICT px, float *NRX_RESTRICT py,
    float *NRX_RESTRICT qx, float *NRX_RESTRICT qy)
{
    nrxi_sum turn = 0.0;
    size_t j;
    for (j = from; j < w; j++) {
        float a = j + 1 < w ? qx[j] + step * (u[j + 1] - u[j]) : (float)0,
               b = below ? qy[j] + step * (below[j] - u[j]) : (float)0;
        float n = sqrtf(a * a + b * b), s = n > lambda ? lambda / n : (float)1;
        a *= s;
        b *= s;
        turn += (nrxi_sum)((qx[j] - a) * (a - px[j]) + (qy[j] - b) * (b - py[j]));
        qx[j] = a + beta * (a - px[j]);
        qy[j] = b + beta * (b - py[j]);
        px[j] = a;
        py[j] = b;
    }
    return turn;
}
/* The same without momentum, for PDHG: q = projection of q + step grad u; each array is read and written
   once. */
NRXI_FN void nrxi_opt_tv_ascend_f32(size_t w, size_t from, const float *u, const float *below, float step,
    float lambda, float *NRX_RESTRICT qx, float *NRX_RESTRICT qy)
{
    size_t j;
    for (j = from; j < w; j++) {
        float a = j + 1 < w ? qx[j] + step * (u[j + 1] - u[j]) : (float)0,
               b = below ? qy[j] + step * (below[j] - u[j]) : (float)0;
        float n = sqrtf(a * a + b * b), s = n > lambda ? lambda / n : (float)1;
        qx[j] = a * s;
        qy[j] = b * s;
    }
}
/* A row of 1/2 |u - f|^2 + lambda sum |grad u|, and of 1/2 |t - f|^2 + <f, t - f> with t = f + div p
   (minus the dual value). */
NRXI_FN nrxi_sum nrxi_opt_tv_primal_value_f32(
    size_t w, const float *f, const float *u, const float *below, nrxi_sum lambda)
{
    nrxi_sum data = 0.0, tv = 0.0;
    size_t j;
    for (j = 0; j < w; j++) {
        nrxi_sum e = (nrxi_sum)u[j] - (nrxi_sum)f[j],
                 a = j + 1 < w ? (nrxi_sum)u[j + 1] - (nrxi_sum)u[j] : 0.0,
                 b = below ? (nrxi_sum)below[j] - (nrxi_sum)u[j] : 0.0;
        data += 0.5 * e * e;
        tv += nrxi_adam_root(a * a + b * b);
    }
    return data + lambda * tv;
}
NRXI_FN nrxi_sum nrxi_opt_tv_dual_value_f32(size_t w, const float *f, const float *t)
{
    nrxi_sum s = 0.0, e;
    size_t j;
    for (j = 0; j < w; j++) { e = (nrxi_sum)t[j] - (nrxi_sum)f[j]; s += (0.5 * e + (nrxi_sum)f[j]) * e; }
    return s;
}
/* PDHG primal row: u+ = (u + tau (f + div p)) / (1 + tau), bar = u+ + theta (u+ - u). t holds f + div p. */
NRXI_FN void nrxi_opt_tv_relax_f32(
    size_t w, const float *t, float tau, float theta, float *NRX_RESTRICT u, float *NRX_RESTRICT bar)
{
    const float s = (float)1 / ((float)1 + tau);
    size_t j;
    for (j = 0; j < w; j++) {
        float old = u[j], v = (old + tau * t[j]) * s;
        u[j] = v;
        bar[j] = v + theta * (v - old);
    }
}
/* <<< twin */

#if defined(NRXI_X86)
/* The f32 rows eight at a time; they leave the last entries (whose right neighbour is missing) to the
   plain loops. */
NRXI_AVX2 NRXI_FN size_t nrxi_opt_tv_dual_avx2(double *turn, size_t w, const float *u, const float *below,
    float step, float lambda, float beta, float *px, float *py, float *qx, float *qy)
{
    const __m256 st = _mm256_set1_ps(step), la = _mm256_set1_ps(lambda), be = _mm256_set1_ps(beta),
                 one = _mm256_set1_ps(1.0f), tiny = _mm256_set1_ps(1e-30f);
    __m256 sum = _mm256_setzero_ps();
    float lane[8];
    size_t j, i;
    for (j = 0; j + 9 <= w; j += 8) {
        __m256 c = _mm256_loadu_ps(u + j), x = _mm256_loadu_ps(qx + j), y = _mm256_loadu_ps(qy + j), a, b, n,
               s, da, db;
        a = _mm256_fmadd_ps(st, _mm256_sub_ps(_mm256_loadu_ps(u + j + 1), c), x);
        b = _mm256_fmadd_ps(st, _mm256_sub_ps(_mm256_loadu_ps(below + j), c), y);
        n = _mm256_sqrt_ps(_mm256_fmadd_ps(a, a, _mm256_mul_ps(b, b)));
        s = _mm256_min_ps(one, _mm256_div_ps(la, _mm256_max_ps(n, tiny)));
        a = _mm256_mul_ps(a, s);
        b = _mm256_mul_ps(b, s);
        da = _mm256_sub_ps(a, _mm256_loadu_ps(px + j));
        db = _mm256_sub_ps(b, _mm256_loadu_ps(py + j));
        sum = _mm256_fmadd_ps(_mm256_sub_ps(x, a), da, _mm256_fmadd_ps(_mm256_sub_ps(y, b), db, sum));
        _mm256_storeu_ps(qx + j, _mm256_fmadd_ps(be, da, a));
        _mm256_storeu_ps(qy + j, _mm256_fmadd_ps(be, db, b));
        _mm256_storeu_ps(px + j, a);
        _mm256_storeu_ps(py + j, b);
    }
    _mm256_storeu_ps(lane, sum);
    for (i = 0; i < 8; i++) *turn += (double)lane[i];
    return j;
}
NRXI_AVX2 NRXI_FN size_t nrxi_opt_tv_ascend_avx2(
    size_t w, const float *u, const float *below, float step, float lambda, float *qx, float *qy)
{
    const __m256 st = _mm256_set1_ps(step), la = _mm256_set1_ps(lambda), one = _mm256_set1_ps(1.0f),
                 tiny = _mm256_set1_ps(1e-30f);
    size_t j;
    for (j = 0; j + 9 <= w; j += 8) {
        __m256 c = _mm256_loadu_ps(u + j), a, b, s;
        a = _mm256_fmadd_ps(st, _mm256_sub_ps(_mm256_loadu_ps(u + j + 1), c), _mm256_loadu_ps(qx + j));
        b = _mm256_fmadd_ps(st, _mm256_sub_ps(_mm256_loadu_ps(below + j), c), _mm256_loadu_ps(qy + j));
        s = _mm256_sqrt_ps(_mm256_fmadd_ps(a, a, _mm256_mul_ps(b, b)));
        s = _mm256_min_ps(one, _mm256_div_ps(la, _mm256_max_ps(s, tiny)));
        _mm256_storeu_ps(qx + j, _mm256_mul_ps(a, s));
        _mm256_storeu_ps(qy + j, _mm256_mul_ps(b, s));
    }
    return j;
}
NRXI_AVX2 NRXI_FN void nrxi_opt_tv_primal_avx2(
    size_t w, const float *f, const float *qx, const float *qy, const float *above, float *u)
{
    size_t j = 1;
    u[0] = f[0] + qx[0] + qy[0] - (above ? above[0] : 0.0f);
    for (; j + 8 <= w; j += 8) {
        __m256 v = _mm256_add_ps(
            _mm256_loadu_ps(f + j), _mm256_sub_ps(_mm256_loadu_ps(qx + j), _mm256_loadu_ps(qx + j - 1)));
        v = _mm256_add_ps(v, _mm256_loadu_ps(qy + j));
        if (above) v = _mm256_sub_ps(v, _mm256_loadu_ps(above + j));
        _mm256_storeu_ps(u + j, v);
    }
    for (; j < w; j++) u[j] = f[j] + (qx[j] - qx[j - 1]) + qy[j] - (above ? above[j] : 0.0f);
}
NRXI_AVX2 NRXI_FN size_t nrxi_opt_tv_relax_avx2(
    size_t w, const float *t, float tau, float theta, float *u, float *bar)
{
    const __m256 ta = _mm256_set1_ps(tau), th = _mm256_set1_ps(theta),
                 s = _mm256_set1_ps(1.0f / (1.0f + tau));
    size_t j;
    for (j = 0; j + 8 <= w; j += 8) {
        __m256 old = _mm256_loadu_ps(u + j),
               v = _mm256_mul_ps(_mm256_fmadd_ps(ta, _mm256_loadu_ps(t + j), old), s);
        _mm256_storeu_ps(u + j, v);
        _mm256_storeu_ps(bar + j, _mm256_fmadd_ps(th, _mm256_sub_ps(v, old), v));
    }
    return j;
}
#endif

typedef struct nrxi_opt_tv {
    size_t h, w;
    int dtype;
    const unsigned char *f;
    unsigned char *p, *q, *rows;
    double lambda;
} nrxi_opt_tv;

NRXI_FN void nrxi_opt_tv_primal(const nrxi_opt_tv *t, const unsigned char *q, size_t i, void *u)
{
    size_t row = t->w * nrxi_dtype_size(t->dtype);
    const void *f = t->f + i * row, *qx = q + i * row, *qy = q + (t->h + i) * row,
               *above = i ? q + (t->h + i - 1) * row : NULL;
    if (t->dtype == NRX_F64)
        nrxi_opt_tv_primal_f64(t->w, (const double *)f, (const double *)qx, (const double *)qy,
            (const double *)above, (double *)u);
#if defined(NRXI_X86)
    else if (nrxi_cpu_avx2())
        nrxi_opt_tv_primal_avx2(
            t->w, (const float *)f, (const float *)qx, (const float *)qy, (const float *)above, (float *)u);
#endif
    else
        nrxi_opt_tv_primal_f32(
            t->w, (const float *)f, (const float *)qx, (const float *)qy, (const float *)above, (float *)u);
}
NRXI_FN double nrxi_opt_tv_dual(
    const nrxi_opt_tv *t, size_t i, const void *u, const void *below, double step, double beta)
{
    size_t row = t->w * nrxi_dtype_size(t->dtype), plane = t->h * row, from = 0;
    unsigned char *p = t->p + i * row, *q = t->q + i * row;
    void *px = p, *py = p + plane, *qx = q, *qy = q + plane;
    double turn = 0.0;
    if (t->dtype == NRX_F64)
        return nrxi_opt_tv_dual_f64(t->w, 0, (const double *)u, (const double *)below, step, t->lambda, beta,
            (double *)px, (double *)py, (double *)qx, (double *)qy);
#if defined(NRXI_X86)
    if (below && nrxi_cpu_avx2())
        from = nrxi_opt_tv_dual_avx2(&turn, t->w, (const float *)u, (const float *)below, (float)step,
            (float)t->lambda, (float)beta, (float *)px, (float *)py, (float *)qx, (float *)qy);
#endif
    return turn + nrxi_opt_tv_dual_f32(t->w, from, (const float *)u, (const float *)below, (float)step,
                      (float)t->lambda, (float)beta, (float *)px, (float *)py, (float *)qx, (float *)qy);
}

NRXI_FN void nrxi_opt_tv_ascend(const nrxi_opt_tv *t, size_t i, const void *u, const void *below, double step)
{
    size_t row = t->w * nrxi_dtype_size(t->dtype), from = 0;
    unsigned char *q = t->q + i * row;
    void *qx = q, *qy = q + t->h * row;
    if (t->dtype == NRX_F64) {
        nrxi_opt_tv_ascend_f64(
            t->w, 0, (const double *)u, (const double *)below, step, t->lambda, (double *)qx, (double *)qy);
        return;
    }
#if defined(NRXI_X86)
    if (below && nrxi_cpu_avx2())
        from = nrxi_opt_tv_ascend_avx2(t->w, (const float *)u, (const float *)below, (float)step,
            (float)t->lambda, (float *)qx, (float *)qy);
#endif
    nrxi_opt_tv_ascend_f32(t->w, from, (const float *)u, (const float *)below, (float)step, (float)t->lambda,
        (float *)qx, (float *)qy);
}

/* Dual FISTA iteration in one sweep: row i of u needs rows i, i-1 of q; row i-1 of the duals needs rows
   i-1, i of u. Returns the restart sum. */
NRXI_FN double nrxi_opt_tv_sweep(const nrxi_opt_tv *t, double step, double beta)
{
    size_t row = (t->w * nrxi_dtype_size(t->dtype) + 63) & ~(size_t)63, i;
    unsigned char *a = t->rows, *b = a + row, *s;
    double turn = 0.0;
    nrxi_opt_tv_primal(t, t->q, 0, a);
    for (i = 0; i < t->h; i++) {
        if (i + 1 < t->h) nrxi_opt_tv_primal(t, t->q, i + 1, b);
        turn += nrxi_opt_tv_dual(t, i, a, i + 1 < t->h ? b : NULL, step, beta);
        s = a; a = b; b = s;
    }
    return turn;
}
NRXI_FN void nrxi_opt_tv_relax(const nrxi_opt_tv *t, double tau, double theta, void *u, void *bar)
{
    const void *r = t->rows;
    size_t j = 0;
    if (t->dtype == NRX_F64) {
        nrxi_opt_tv_relax_f64(t->w, (const double *)r, tau, theta, (double *)u, (double *)bar);
        return;
    }
#if defined(NRXI_X86)
    if (nrxi_cpu_avx2())
        j = nrxi_opt_tv_relax_avx2(
            t->w, (const float *)r, (float)tau, (float)theta, (float *)u, (float *)bar);
#endif
    nrxi_opt_tv_relax_f32(
        t->w - j, (const float *)r + j, (float)tau, (float)theta, (float *)u + j, (float *)bar + j);
}
/* PDHG iteration in one sweep: duals of row i from bar (rows i, i+1), then u and bar of row i. */
NRXI_FN void nrxi_opt_tv_pdhg(
    const nrxi_opt_tv *t, double tau, double sigma, double theta, unsigned char *u, unsigned char *bar)
{
    size_t row = t->w * nrxi_dtype_size(t->dtype), i;
    for (i = 0; i < t->h; i++) {
        nrxi_opt_tv_ascend(t, i, bar + i * row, i + 1 < t->h ? bar + (i + 1) * row : NULL, sigma);
        nrxi_opt_tv_primal(t, t->q, i, t->rows);
        nrxi_opt_tv_relax(t, tau, theta, u + i * row, bar + i * row);
    }
}
/* Gap of (u, p). own = 0: u = f + div p is filled in first. */
NRXI_FN double nrxi_opt_tv_gap(const nrxi_opt_tv *t, unsigned char *u, int own, double *objective)
{
    size_t row = t->w * nrxi_dtype_size(t->dtype), i;
    double primal = 0.0, minus_dual = 0.0;
    if (!own) for (i = 0; i < t->h; i++) nrxi_opt_tv_primal(t, t->p, i, u + i * row);
    for (i = 0; i < t->h; i++) {
        const void *f = t->f + i * row, *ui = u + i * row, *below = i + 1 < t->h ? u + (i + 1) * row : NULL,
                   *ti = ui;
        if (own) { nrxi_opt_tv_primal(t, t->p, i, t->rows); ti = t->rows; }
        if (t->dtype == NRX_F32) {
            primal += nrxi_opt_tv_primal_value_f32(
                t->w, (const float *)f, (const float *)ui, (const float *)below, t->lambda);
            minus_dual += nrxi_opt_tv_dual_value_f32(t->w, (const float *)f, (const float *)ti);
        } else {
            primal += nrxi_opt_tv_primal_value_f64(
                t->w, (const double *)f, (const double *)ui, (const double *)below, t->lambda);
            minus_dual += nrxi_opt_tv_dual_value_f64(t->w, (const double *)f, (const double *)ti);
        }
    }
    *objective = primal;
    return primal + minus_dual > 0.0 ? primal + minus_dual : 0.0;
}

NRX_DEF nrx_status nrx_opt_tv_denoise(int dtype, size_t height, size_t width, const void *f, double lambda,
    void *u, const nrx_solve_desc *desc, nrx_solve_info *info)
{
    nrxi_solver s;
    nrxi_opt_tv t;
    size_t n, k, size = nrxi_dtype_size(dtype);
    unsigned char *v = NULL, *bar, *keep;
    double tk = 1.0, tn, tau = 0.35355339059327, sigma = tau, theta = 1.0;
    int pdhg;
    nrx_status status = nrxi_solver_begin(&s, "nrx_opt_tv_denoise", dtype, desc, info);
    if (status != NRX_OK) return status;
    if (!f || !u || !(lambda >= 0.0) || !nrxi_mul_ok(height, width, &n) || n == 0)
        return nrxi_fail(&s.d.env, NRX_E_ARG,
            "nrx_opt_tv_denoise: image %zux%zu, lambda %g: expected an image, a result and lambda >= 0",
            height, width, lambda);
    if (!nrxi_all_finite(f, n, dtype))
        return nrxi_fail(&s.d.env, NRX_E_NUMERIC, "nrx_opt_tv_denoise: the image is not finite");
    pdhg = s.d.method == NRX_SOLVE_GRADIENT;
    if ((status = nrxi_solver_room(&s, 8, n, 2, width)) != NRX_OK) return status;
    memset(&t, 0, sizeof t);
    t.h = height; t.w = width; t.dtype = dtype; t.lambda = lambda;
    keep = (unsigned char *)nrxi_solver_vector(&s, n);
    t.q = (unsigned char *)nrxi_solver_vector(&s, 2 * n);
    t.p = pdhg ? t.q : (unsigned char *)nrxi_solver_vector(&s, 2 * n);
    v = (unsigned char *)nrxi_solver_vector(&s, n);
    bar = (unsigned char *)nrxi_solver_vector(&s, n);
    t.rows = (unsigned char *)nrxi_solver_vector(&s, 2 * width + 32);
    memcpy(keep, f, n * size);
    t.f = keep;
    memcpy(v, keep, n * size);
    memcpy(bar, keep, n * size);
    s.info->gap = HUGE_VAL;
    for (k = 1; k <= s.d.max_iter; k++) {
        if (pdhg) { /* accelerated with gamma = 1/2 */
            nrxi_opt_tv_pdhg(&t, tau, sigma, theta, v, bar);
            theta = 1.0 / sqrt(1.0 + tau);
            tau *= theta;
            sigma /= theta;
        } else {
            tn = 0.5 * (1.0 + sqrt(1.0 + 4.0 * tk * tk));
            tk = nrxi_opt_tv_sweep(&t, 0.125, (tk - 1.0) / tn) > 0.0 && !s.d.no_restart ? 1.0 : tn;
            s.info->restarts += tk == 1.0;
        }
        s.info->iterations = k;
        if (k % s.d.check_every == 0 || k == s.d.max_iter) {
            if (pdhg) memcpy(u, v, n * size);
            s.info->gap = nrxi_opt_tv_gap(&t, (unsigned char *)u, pdhg, &s.info->objective);
            s.info->residual = s.info->gap / (s.info->objective > 1e-300 ? s.info->objective : 1.0);
            if (!nrxi_finite_f64(&s.info->gap)) {
                memcpy(u, keep, n * size);
                nrxi_solver_stop(&s, NRX_STOP_NUMERIC);
                break;
            }
            if (nrxi_solver_report(&s, k, s.info->gap)) break;
            if (s.info->gap <= s.d.tol * s.info->objective || s.info->gap == 0.0) {
                nrxi_solver_stop(&s, NRX_STOP_GAP);
                break;
            }
        }
    }
    return nrxi_solver_end(&s);
}

/* ==== bilevel learning ==== */

typedef struct nrxi_opt_bilevel {
    const nrx_opt_bilevel_problem *pr;
    nrx_opt_bilevel_info *info;
    const nrx_env *env;
    nrx_status status;
    double *x1, *y, *g, *q, *r, *d, *hd, *ug;
} nrxi_opt_bilevel;

NRXI_FN int nrxi_opt_bilevel_called(nrxi_opt_bilevel *b, nrx_status s, const char *what)
{
    if (s == NRX_OK) return 0;
    b->info->stop = NRX_STOP_CALLBACK;
    b->status = nrxi_fail(b->env, s, "nrx_opt_bilevel: %s failed: %s", what, nrx_status_string(s));
    return 1;
}

/* |x - xhat(theta)| <= epsilon, certified by |grad h| <= mu epsilon: Nesterov's method for strongly convex
   functions. Non-zero: stop. */
NRXI_FN int nrxi_opt_bilevel_lower(nrxi_opt_bilevel *b, const double *theta, double *x, double epsilon)
{
    const nrx_opt_bilevel_problem *pr = b->pr;
    size_t n = pr->n, k;
    double root = sqrt(pr->mu / pr->lip), beta = (1.0 - root) / (1.0 + root), norm, goal = pr->mu * epsilon,
           turn;
    size_t i;
    memcpy(b->y, x, n * sizeof *x);
    for (k = 0; k < 1000000; k++) {
        if (nrxi_opt_bilevel_called(b, pr->lower_grad(pr->user, theta, b->y, b->g), "the lower gradient"))
            return 1;
        norm = nrxi_vec_norm(n, NRX_F64, b->g);
        if (!nrxi_finite_f64(&norm)) {
            b->info->stop = NRX_STOP_NUMERIC;
            b->status = nrxi_fail(b->env, NRX_E_NUMERIC, "nrx_opt_bilevel: the lower gradient is not finite");
            return 1;
        }
        if (norm <= goal || norm <= 1e-15 * pr->lip * nrxi_vec_norm(n, NRX_F64, b->y)) {
            memcpy(x, b->y, n * sizeof *x);
            return 0;
        }
        b->info->lower_iterations++;
        for (turn = 0.0, i = 0; i < n; i++) {
            b->x1[i] = b->y[i] - b->g[i] / pr->lip;
            turn += b->g[i] * (b->x1[i] - x[i]);
        }
        for (i = 0; i < n; i++) b->y[i] = b->x1[i] + (turn > 0.0 ? 0.0 : beta) * (b->x1[i] - x[i]);
        memcpy(x, b->x1, n * sizeof *x);
    }
    return 0;
}

/* q = Hessian^-1 ug to a residual of delta, by CG from the last q. Non-zero: stop. */
NRXI_FN int nrxi_opt_bilevel_cg(nrxi_opt_bilevel *b, const double *theta, const double *x, double delta)
{
    const nrx_opt_bilevel_problem *pr = b->pr;
    size_t n = pr->n, k;
    double rr, old, dh;
    if (nrxi_opt_bilevel_called(b, pr->lower_hess(pr->user, theta, x, b->q, b->hd), "the lower Hessian"))
        return 1;
    nrxi_vec_lin(n, NRX_F64, 1.0, b->ug, -1.0, b->hd, b->r);
    memcpy(b->d, b->r, n * sizeof *b->d);
    rr = nrxi_vec_dot(n, NRX_F64, b->r, b->r);
    for (k = 0; k < 2000 && sqrt(rr) > delta; k++) {
        if (nrxi_opt_bilevel_called(b, pr->lower_hess(pr->user, theta, x, b->d, b->hd), "the lower Hessian"))
            return 1;
        dh = nrxi_vec_dot(n, NRX_F64, b->d, b->hd);
        if (!(dh > 0.0)) break;
        nrxi_vec_axpy(n, NRX_F64, rr / dh, b->d, b->q);
        nrxi_vec_axpy(n, NRX_F64, -rr / dh, b->hd, b->r);
        old = rr;
        rr = nrxi_vec_dot(n, NRX_F64, b->r, b->r);
        nrxi_vec_lin(n, NRX_F64, 1.0, b->r, rr / old, b->d, b->d);
        b->info->cg_iterations++;
    }
    return 0;
}

/* Hypergradient p = -B^T H^-1 grad g at x, and the bound of its error. ug holds grad g. Non-zero: stop. */
NRXI_FN int nrxi_opt_bilevel_gradient(nrxi_opt_bilevel *b, int jacobian_free, const double *theta,
    const double *x, double epsilon, double delta, double *p, double *error)
{
    const nrx_opt_bilevel_problem *pr = b->pr;
    double ug = nrxi_vec_norm(pr->n, NRX_F64, b->ug), bn = pr->cross_norm, qn;
    if (jacobian_free) nrxi_vec_lin(pr->n, NRX_F64, 2.0 / (pr->mu + pr->lip), b->ug, 0.0, b->ug, b->q);
    else if (nrxi_opt_bilevel_cg(b, theta, x, delta)) return 1;
    if (nrxi_opt_bilevel_called(b, pr->cross(pr->user, theta, x, b->q, p), "the cross derivative")) return 1;
    nrxi_vec_scale(pr->p, NRX_F64, -1.0, p);
    qn = nrxi_vec_norm(pr->n, NRX_F64, b->q);
    if (!(bn > 0.0)) bn = qn > 0.0 ? nrxi_vec_norm(pr->p, NRX_F64, p) / qn : 1.0;
    *error = (bn * (pr->upper_lip > 0.0 ? pr->upper_lip : 1.0) / pr->mu + pr->hess_lip * ug * bn +
                 pr->cross_lip * ug / pr->mu) *
                 epsilon +
             bn / pr->mu * delta + pr->cross_lip / pr->mu * epsilon * epsilon;
    return 0;
}

/* One try of MAID's line search: theta - a p with its lower solution; 1 accepted, 0 not, -1 stop. */
NRXI_FN int nrxi_opt_bilevel_try(nrxi_opt_bilevel *b, const double *theta, const double *p, double a,
    double epsilon, double g0, double slack0, double pn, double eta, const double *x, double *theta1,
    double *xt)
{
    const nrx_opt_bilevel_problem *pr = b->pr;
    double g1, lg = pr->upper_lip > 0.0 ? pr->upper_lip : 1.0, slack;
    nrxi_vec_lin(pr->p, NRX_F64, 1.0, theta, -a, p, theta1);
    memcpy(xt, x, pr->n * sizeof *xt);
    b->info->backtracks++;
    if (nrxi_opt_bilevel_lower(b, theta1, xt, epsilon) ||
        nrxi_opt_bilevel_called(b, pr->upper(pr->user, xt, &g1, b->r), "the upper function"))
        return -1;
    slack = nrxi_vec_norm(pr->n, NRX_F64, b->r) * epsilon + 0.5 * lg * epsilon * epsilon;
    return g1 + slack - g0 + slack0 <= -a * eta * eta * pn * pn;
}

NRX_DEF nrx_status nrx_opt_bilevel(const nrx_opt_bilevel_problem *pr, double *theta, double *x,
    const nrx_opt_bilevel_desc *desc, nrx_opt_bilevel_info *info)
{
    nrx_opt_bilevel_desc d = NRX_ZERO;
    nrx_opt_bilevel_info own;
    nrxi_opt_bilevel b;
    double *mem, *p, *theta1, *xt, pn, error = 0.0, a;
    size_t size, k, n, np;
    int maid, j, failures = 0;
    if (desc) d = *desc;
    if (!info) info = &own;
    memset(info, 0, sizeof *info);
    memset(&b, 0, sizeof b);
    if (!pr || !theta || !x || !pr->lower_grad || !pr->cross || !pr->upper ||
        (d.method != NRX_BILEVEL_JACOBIAN_FREE && !pr->lower_hess) || !(pr->mu > 0.0) ||
        !(pr->lip >= pr->mu) || d.method < 0 || d.method > NRX_BILEVEL_JACOBIAN_FREE)
        return nrxi_fail(&d.env, NRX_E_ARG,
            "nrx_opt_bilevel: needs a problem with its callbacks, 0 < mu (%g) <= lip (%g), a method (%d)",
            pr ? pr->mu : 0.0, pr ? pr->lip : 0.0, d.method);
    maid = d.method == NRX_BILEVEL_MAID;
    if (d.max_iter == 0) d.max_iter = 100;
    if (d.tol == 0.0) d.tol = 1e-6;
    if (d.epsilon == 0.0) d.epsilon = maid ? 0.1 : 1e-6;
    if (d.delta == 0.0) d.delta = d.epsilon;
    if (d.step == 0.0) d.step = 0.1;
    if (d.eta == 0.0) d.eta = 1e-4;
    if (d.rho == 0.0) d.rho = 0.9;
    if (d.shrink == 0.0) d.shrink = 0.5;
    if (d.grow == 0.0) d.grow = 1.05;
    n = pr->n; np = pr->p;
    if (!nrxi_mul_ok(n, 9, &size) || !nrxi_add_ok(size, np, &size) || !nrxi_add_ok(size, np, &size) ||
        size > (size_t)-1 / 16)
        return nrxi_fail(
            &d.env, NRX_E_RANGE, "nrx_opt_bilevel: %zu unknowns, %zu parameters overflow", n, np);
    mem = (double *)nrxi_calloc(&d.env, size + 1, sizeof *mem);
    if (!mem) return nrxi_fail(&d.env, NRX_E_NOMEM, "nrx_opt_bilevel: no memory for %zu numbers", size);
    b.pr = pr; b.info = info; b.env = &d.env; b.status = NRX_OK;
    b.x1 = mem;
    b.y = mem + n;
    b.g = mem + 2 * n;
    b.q = mem + 3 * n;
    b.r = mem + 4 * n;
    b.d = mem + 5 * n;
    b.hd = mem + 6 * n;
    b.ug = mem + 7 * n;
    xt = mem + 8 * n; p = mem + 9 * n; theta1 = p + np;
    for (k = 0; k <= d.max_iter && !info->stop; k++) {
        double slack;
        int ok = 0;
        for (j = 0; ; j++) { /* refine until the hypergradient is certified (MAID), at most to rounding */
            if (nrxi_opt_bilevel_lower(&b, theta, x, d.epsilon) ||
                nrxi_opt_bilevel_called(
                    &b, pr->upper(pr->user, x, &info->value, b.ug), "the upper function") ||
                nrxi_opt_bilevel_gradient(
                    &b, d.method == NRX_BILEVEL_JACOBIAN_FREE, theta, x, d.epsilon, d.delta, p, &error))
                goto end;
            pn = nrxi_vec_norm(np, NRX_F64, p);
            if (!nrxi_finite_f64(&pn)) {
                info->stop = NRX_STOP_NUMERIC;
                b.status = nrxi_fail(
                    &d.env, NRX_E_NUMERIC, "nrx_opt_bilevel: the hypergradient is not finite");
                goto end;
            }
            if (!maid || error <= (1.0 - d.eta) * pn || pn + error <= d.tol || d.epsilon < 1e-14) break;
            d.epsilon *= d.shrink;
            d.delta *= d.shrink;
        }
        info->hypergradient = pn;
        info->error = error;
        info->iterations = k;
        if (d.history && info->history_count < d.history_size) d.history[info->history_count++] = info->value;
        if (k > 0 && nrxi_progress(&d.env, k, d.max_iter, info->value)) {
            info->stop = NRX_STOP_CANCELLED;
            b.status = NRX_E_CANCELLED;
            break;
        }
        if (pn + (maid ? error : 0.0) <= d.tol) { info->stop = NRX_STOP_TOL; break; }
        if (k == d.max_iter) break;
        if (!maid) { nrxi_vec_axpy(np, NRX_F64, -d.step, p, theta); continue; }
        slack = nrxi_vec_norm(n, NRX_F64, b.ug) * d.epsilon;
        for (j = 0, a = d.step; j < 10 + failures; j++, a *= d.rho) {
            ok = nrxi_opt_bilevel_try(
                &b, theta, p, a, d.epsilon, info->value, slack, pn, d.eta, x, theta1, xt);
            if (ok < 0) goto end;
            if (ok) break;
        }
        if (ok) {
            memcpy(theta, theta1, np * sizeof *theta);
            memcpy(x, xt, n * sizeof *x);
            d.step = a / d.rho;
            if (j == 0) d.step *= 1.5; /* accepted at once: be bolder */
            d.epsilon *= d.grow;
            d.delta *= d.grow;
            failures = 0;
        } else {
            if (d.epsilon < 1e-13) { info->stop = NRX_STOP_STALLED; break; }
            d.epsilon *= d.shrink; /* the slack, not the step, was too large */
            d.delta *= d.shrink;
            if (failures < 50) failures++;
        }
    }
end:
    if (!info->stop) info->stop = NRX_STOP_MAX_ITER;
    info->epsilon = d.epsilon;
    info->delta = d.delta;
    info->step = d.step;
    nrxi_free(&d.env, mem);
    return b.status;
}

/* ==== data order ==== */

/* Heap sort of idx by key ascending, ties by index: deterministic, no recursion. */
NRXI_FN int nrxi_opt_order_less(const double *key, size_t a, size_t b)
{
    return key[a] < key[b] || (key[a] == key[b] && a < b);
}
NRXI_FN void nrxi_opt_order_sort(size_t n, size_t *idx, const double *key)
{
    size_t start = n / 2, end = n, root, child, t;
    while (end > 1) {
        if (start > 0) start--;
        else { end--; t = idx[end]; idx[end] = idx[0]; idx[0] = t; }
        for (root = start; (child = 2 * root + 1) < end; root = child) {
            if (child + 1 < end && nrxi_opt_order_less(key, idx[child], idx[child + 1])) child++;
            if (!nrxi_opt_order_less(key, idx[root], idx[child])) break;
            t = idx[root]; idx[root] = idx[child]; idx[child] = t;
        }
    }
}
NRXI_FN void nrxi_opt_order_shuffle(size_t n, size_t *idx, uint64_t seed, uint64_t epoch)
{
    nrx_rng r;
    size_t i;
    nrx_rng_seed(&r, seed, epoch);
    for (i = n; i > 1; i--) {
        size_t j = (size_t)nrx_rng_below(&r, (uint64_t)i), t = idx[i - 1];
        idx[i - 1] = idx[j];
        idx[j] = t;
    }
}
/* From ascending `from` to the policy's order in `to`. */
NRXI_FN void nrxi_opt_order_policy(int policy, size_t n, const size_t *from, size_t *to)
{
    size_t i;
    for (i = 0; i < n; i++) switch (policy) {
        case NRX_ORDER_HIGH_LOW: to[i] = from[n - 1 - i]; break;
        case NRX_ORDER_OSC_IN: to[i] = i % 2 ? from[n - 1 - i / 2] : from[i / 2]; break;
        case NRX_ORDER_OSC_OUT: {
            size_t q = n - 1 - i;
            to[i] = q % 2 ? from[n - 1 - q / 2] : from[q / 2];
            break;
        }
        default: to[i] = from[i]; break;
    }
}

NRX_DEF nrx_status nrx_opt_sample(int policy, int attack, size_t n, size_t batch, const double *scores,
    uint64_t seed, uint64_t epoch, size_t *order, const nrx_env *env)
{
    size_t i, j, at, batches, *idx, *by;
    double *mean;
    if (!order || policy < 0 || policy > NRX_ORDER_OSC_OUT || attack < 0 || attack > NRX_ATTACK_REPLACE ||
        batch == 0 || (policy != NRX_ORDER_UNIFORM && !scores))
        return nrxi_fail(env, NRX_E_ARG,
            "nrx_opt_sample: policy %d, attack %d, batch %zu: expected NRX_ORDER_*, NRX_ATTACK_*, at least 1, and scores",
            policy, attack, batch);
    for (i = 0; i < n; i++) order[i] = i;
    nrxi_opt_order_shuffle(n, order, seed, epoch);
    if (policy == NRX_ORDER_UNIFORM || n == 0) return NRX_OK;
    if (!nrxi_all_finite(scores, n, NRX_F64))
        return nrxi_fail(env, NRX_E_NUMERIC, "nrx_opt_sample: a score is not finite");
    if (n > (size_t)-1 / 64 || !(idx = (size_t *)nrxi_alloc(env, 2 * n, sizeof *idx + sizeof *mean)))
        return nrxi_fail(env, NRX_E_NOMEM, "nrx_opt_sample: no memory for %zu points", n);
    by = idx + n;
    mean = (double *)(void *)(by + n);
    if (attack == NRX_ATTACK_REORDER) {
        batches = (n + batch - 1) / batch;
        for (i = 0; i < batches; i++) {
            size_t last = (i + 1) * batch < n ? (i + 1) * batch : n;
            for (mean[i] = 0.0, j = i * batch; j < last; j++)
                mean[i] += scores[order[j]] / (double)(last - i * batch);
            idx[i] = i;
        }
        nrxi_opt_order_sort(batches, idx, mean);
        nrxi_opt_order_policy(policy, batches, idx, by);
        memcpy(idx, order, n * sizeof *idx);
        for (at = 0, i = 0; i < batches; i++)
            for (j = by[i] * batch; j < n && j < (by[i] + 1) * batch; j++) order[at++] = idx[j];
    } else {
        for (i = 0; i < n; i++) idx[i] = i;
        nrxi_opt_order_sort(n, idx, scores);
        nrxi_opt_order_policy(policy, n, idx, order);
        if (attack == NRX_ATTACK_REPLACE) for (i = 0; i < n / 2; i++) order[n - n / 2 + i] = order[i];
    }
    nrxi_free(env, idx);
    return NRX_OK;
}

NRX_DEF nrx_status nrx_opt_match_gradient(size_t n, size_t dim, const double *gradients, const double *target,
    size_t count, size_t *picked, const nrx_env *env)
{
    double *sum;
    unsigned char *used;
    size_t i, j, k, total;
    if (!gradients || !target || !picked || count > n || count == 0)
        return nrxi_fail(env, NRX_E_ARG, "nrx_opt_match_gradient: %zu of %zu points", count, n);
    if (!nrxi_mul_ok(n, dim, &total) || total > (size_t)-1 / 16 ||
        !(sum = (double *)nrxi_calloc(env, dim + n, sizeof *sum)))
        return nrxi_fail(env, NRX_E_NOMEM, "nrx_opt_match_gradient: no memory");
    used = (unsigned char *)(void *)(sum + dim);
    for (k = 0; k < count; k++) {
        double best = HUGE_VAL;
        size_t pick = n;
        for (i = 0; i < n; i++) {
            double s = 0.0;
            if (used[i]) continue;
            for (j = 0; j < dim; j++) {
                double e = (sum[j] + gradients[i * dim + j]) / (double)(k + 1) - target[j];
                s += e * e;
            }
            if (s < best || pick == n) { best = s; pick = i; }
        }
        used[pick] = 1;
        picked[k] = pick;
        for (j = 0; j < dim; j++) sum[j] += gradients[pick * dim + j];
    }
    nrxi_free(env, sum);
    return NRX_OK;
}

/* The statistics of a sequence of ranks 0 .. n-1 (each once): moments under random permutation are exact
   or to O(1/n). */
NRXI_FN void nrxi_opt_audit_ranks(size_t n, size_t batch, const double *rank, nrx_opt_audit *a)
{
    double nn = (double)n, mid = 0.5 * (nn - 1.0), var = (nn * nn - 1.0) / 12.0, pos = 0.0, lag = 0.0,
           diff = 0.0, runs = 1.0, expect, z[5];
    size_t i, q;
    for (i = 0; i < n; i++) {
        double e = rank[i] - mid;
        pos += ((double)i - mid) * e;
        if (i == 0) continue;
        lag += e * (rank[i - 1] - mid);
        diff += (rank[i] - rank[i - 1]) * (rank[i] - rank[i - 1]);
        runs += (e > 0.0) != (rank[i - 1] - mid > 0.0);
    }
    a->rank_z = pos / (nn * var) * sqrt(nn - 1.0);
    a->lag_z = (lag / (nn * var) + 1.0 / nn) * sqrt(nn);
    a->smooth_z = (diff / (nn * var) - 2.0) / sqrt(4.0 / nn);
    a->runs_z = (runs - (0.5 * nn + 1.0)) / sqrt(0.25 * (nn - 1.0));
    /* sum over batches of (mean - mid)^2 / variance of a mean without replacement: about chi-square */
    if (batch > 1 && n / batch > 2) {
        size_t batches = n / batch;
        double one = var / (double)batch * (nn - (double)batch) / (nn - 1.0) * (nn / (nn - 1.0)), chi = 0.0;
        for (q = 0; q < batches; q++) {
            double m = 0.0;
            for (i = q * batch; i < (q + 1) * batch; i++) m += (rank[i] - mid) / (double)batch;
            chi += m * m / one;
        }
        expect = (double)batches;
        /* Wilson and Hilferty's cube root makes it normal */
        a->batch_z = (cbrt(chi / expect) - (1.0 - 2.0 / (9.0 * expect))) / sqrt(2.0 / (9.0 * expect));
    }
    z[0] = a->rank_z; z[1] = a->lag_z; z[2] = a->runs_z; z[3] = a->smooth_z; z[4] = a->batch_z;
    for (q = 0; q < 5; q++) if (fabs(z[q]) > a->worst) a->worst = fabs(z[q]);
}

NRX_DEF nrx_status nrx_opt_audit_order(size_t n, size_t batch, const size_t *order, const double *losses,
    const uint64_t *seed, uint64_t epoch, nrx_opt_audit *a, const nrx_env *env)
{
    size_t i, *idx, *seen;
    double *rank;
    if (!order || !a || n == 0)
        return nrxi_fail(env, NRX_E_ARG, "nrx_opt_audit_order: no order or no points");
    memset(a, 0, sizeof *a);
    a->replay = -1;
    if (losses && !nrxi_all_finite(losses, n, NRX_F64))
        return nrxi_fail(env, NRX_E_NUMERIC, "nrx_opt_audit_order: a loss is not finite");
    for (i = 0; i < n; i++)
        if (order[i] >= n)
            return nrxi_fail(
                env, NRX_E_RANGE, "nrx_opt_audit_order: order[%zu] = %zu of %zu points", i, order[i], n);
    if (n > (size_t)-1 / 64 || !(idx = (size_t *)nrxi_calloc(env, n, 2 * sizeof *idx + 2 * sizeof *rank)))
        return nrxi_fail(env, NRX_E_NOMEM, "nrx_opt_audit_order: no memory for %zu points", n);
    seen = idx + n;
    rank = (double *)(void *)(seen + n);
    for (i = 0; i < n; i++) seen[order[i]]++;
    for (i = 0; i < n; i++) { a->missing += seen[i] == 0; a->repeated += seen[i] > 1; }
    if (losses && n > 3) { /* rank of the loss at each position; repeats share by position */
        double *key = rank + n;
        for (i = 0; i < n; i++) { idx[i] = i; key[i] = losses[order[i]]; }
        nrxi_opt_order_sort(n, idx, key);
        for (i = 0; i < n; i++) rank[idx[i]] = (double)i;
        nrxi_opt_audit_ranks(n, batch, rank, a);
    }
    if (seed) {
        for (i = 0; i < n; i++) idx[i] = i;
        nrxi_opt_order_shuffle(n, idx, *seed, epoch);
        a->replay = memcmp(idx, order, n * sizeof *idx) == 0;
    }
    nrxi_free(env, idx);
    return NRX_OK;
}

/* ==== operator factorization ==== */

NRX_DEF nrx_status nrx_opt_factorize(int dtype, size_t rows, size_t cols, const void *w,
    const double *row_weights, const double *col_weights, size_t k, void *a, void *b, const nrx_env *env)
{
    size_t i, j, q, m = nrxi_opt_min_size(rows, cols);
    double *work, *base, *s, *u, *vt, dr, dc, top_r = 0.0, top_c = 0.0;
    nrx_status status = nrxi_opt_matrix_check(
        "nrx_opt_factorize", dtype, rows, cols, w, a && b ? a : NULL, env);
    if (status != NRX_OK) return status;
    if (k == 0 || k > m)
        return nrxi_fail(env, NRX_E_ARG, "nrx_opt_factorize: rank %zu of a %zux%zu matrix", k, rows, cols);
    for (i = 0; row_weights && i < rows; i++) {
        if (!(row_weights[i] >= 0.0) || !nrxi_finite_f64(row_weights + i))
            return nrxi_fail(env, NRX_E_ARG, "nrx_opt_factorize: row weight %zu is %g", i, row_weights[i]);
        if (row_weights[i] > top_r) top_r = row_weights[i];
    }
    for (j = 0; col_weights && j < cols; j++) {
        if (!(col_weights[j] >= 0.0) || !nrxi_finite_f64(col_weights + j))
            return nrxi_fail(env, NRX_E_ARG, "nrx_opt_factorize: column weight %zu is %g", j, col_weights[j]);
        if (col_weights[j] > top_c) top_c = col_weights[j];
    }
    work = (double *)nrxi_alloc(env, rows * cols + rows + cols, sizeof *work);
    if (!work) return nrxi_fail(env, NRX_E_NOMEM, "nrx_opt_factorize: no memory");
    nrxi_opt_to_f64(dtype, rows, cols, w, 0, 1.0, work);
    /* weights enter by their roots, floored at 1e-8 of the largest */
    for (i = 0; i < rows; i++) {
        dr = row_weights ? sqrt(row_weights[i]) : 1.0;
        if (row_weights && dr < 1e-8 * sqrt(top_r)) dr = 1e-8 * sqrt(top_r);
        work[rows * cols + i] = dr > 0.0 ? dr : 1.0;
    }
    for (j = 0; j < cols; j++) {
        dc = col_weights ? sqrt(col_weights[j]) : 1.0;
        if (col_weights && dc < 1e-8 * sqrt(top_c)) dc = 1e-8 * sqrt(top_c);
        work[rows * cols + rows + j] = dc > 0.0 ? dc : 1.0;
    }
    for (i = 0; i < rows; i++)
        for (j = 0; j < cols; j++) work[i * cols + j] *= work[rows * cols + i] * work[rows * cols + rows + j];
    status = nrxi_opt_thin_svd("nrx_opt_factorize", NRX_F64, rows, cols, work, &base, &s, &u, &vt, env);
    if (status == NRX_OK) {
        for (q = 0; q < k; q++) { /* balanced: sqrt of the singular value on either side */
            for (i = 0; i < rows; i++)
                nrxi_opt_put_value(dtype, a, i * k + q, u[i * m + q] * sqrt(s[q]) / work[rows * cols + i]);
            for (j = 0; j < cols; j++)
                nrxi_opt_put_value(
                    dtype, b, q * cols + j, sqrt(s[q]) * vt[q * cols + j] / work[rows * cols + rows + j]);
        }
        nrxi_free(env, base);
    }
    nrxi_free(env, work);
    return status;
}

NRX_DEF nrx_status nrx_opt_isvt(const nrx_functional *loss, size_t rows, size_t cols, double tau, void *w,
    size_t *rank, const nrx_solve_desc *desc, nrx_solve_info *info)
{
    nrxi_solver s;
    size_t n = loss ? loss->n : 0, k, i, full = nrxi_opt_min_size(rows, cols), left = full;
    double fx, step, nuclear, *base, *sv, *u, *vt, t, move;
    void *g, *old;
    nrx_status status = nrxi_opt_smooth_begin(&s, "nrx_opt_isvt", loss, w, 2, desc, info);
    if (status != NRX_OK) return status;
    if (cols == 0 || n / cols != rows || n % cols || !(tau >= 0.0))
        s.status = nrxi_fail(&s.d.env, NRX_E_SHAPE,
            "nrx_opt_isvt: loss of %zu entries, matrix %zux%zu, tau %g", n, rows, cols, tau);
    step = s.d.step > 0.0 ? s.d.step : loss->lip > 0.0 ? 0.99 / loss->lip : 0.0;
    if (s.status == NRX_OK && !(step > 0.0))
        s.status = nrxi_fail(&s.d.env, NRX_E_ARG, "nrx_opt_isvt: needs desc.step or the loss's lip");
    if (s.status != NRX_OK) { nrxi_free(&s.d.env, s.memory); return s.status; }
    g = nrxi_solver_vector(&s, n);
    old = nrxi_solver_vector(&s, n);
    s.info->step = step;
    for (k = 1; k <= s.d.max_iter; k++) {
        if (nrxi_solver_eval(&s, loss, w, &fx, g)) break;
        nrxi_vec_copy(n, s.dtype, w, old);
        nrxi_vec_lin(n, s.dtype, -step, g, 1.0, w, g);
        if (!nrxi_all_finite(g, n, s.dtype)) { nrxi_solver_stop(&s, NRX_STOP_NUMERIC); break; }
        s.status = nrxi_opt_thin_svd("nrx_opt_isvt", s.dtype, rows, cols, g, &base, &sv, &u, &vt, &s.d.env);
        if (s.status != NRX_OK) { s.info->stop = NRX_STOP_NUMERIC; break; }
        t = step * tau;
        /* soft rank: from full to memory, linearly; the threshold is the first value to go */
        if (s.d.memory > 0) {
            double part = (double)k / (double)s.d.max_iter,
                   r = (double)full + part * ((double)s.d.memory - (double)full);
            size_t want = (size_t)(r + 0.5);
            t = want < full ? sv[want] : 0.0;
        }
        for (nuclear = 0.0, left = 0, i = 0; i < full; i++) {
            sv[i] = sv[i] > t ? sv[i] - t : 0.0;
            nuclear += sv[i];
            left += sv[i] > 0.0;
        }
        nrxi_opt_svd_rebuild(s.dtype, rows, cols, sv, u, vt, base, w, &s.d.env);
        nrxi_free(&s.d.env, base);
        move = nrxi_vec_dist(n, s.dtype, w, old) / step;
        if (nrxi_solver_eval(&s, loss, w, &fx, NULL)) break;
        s.info->objective = fx + tau * nuclear;
        s.info->residual = move / (1.0 + nrxi_vec_norm(n, s.dtype, w));
        if (nrxi_solver_report(&s, k, s.info->objective)) break;
        if (s.d.memory == 0 && s.info->residual <= s.d.tol) { nrxi_solver_stop(&s, NRX_STOP_TOL); break; }
    }
    if (rank) *rank = left;
    return nrxi_solver_end(&s);
}

NRXI_IMPL_END
#endif /* implementation */

/* ---- recent history ----
   0.1.0  first version
    ---- licence: your choice of ---- MIT-0. Permission is hereby granted, free of charge, to any person
    obtaining a copy of this software and associated documentation files, to deal in the software without
    restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute,
    sublicense and/or sell copies of it. The software is provided "as is", without warranty of any kind,
    express or implied; in no event shall the authors be liable for any claim, damages or other liability.
    Public domain (unlicense.org). This is free and unencumbered software released into the public domain.
 */
