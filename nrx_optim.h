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
 *  int main(void)
 *  {
 *      printf("nrx %s: %s\n", nrx_opt_version(), nrx_stop_string(NRX_STOP_TOL));
 *      return 0;
 *  }
 * <<< example
*/
#if defined(NRX_STATIC) && defined(NRX_LINKAGE_) && NRX_LINKAGE_ != 1
#error "NRX_STATIC must be defined before the first nrx include of this translation unit"
#endif
#ifndef NRX_OPTIM_H
#define NRX_OPTIM_H
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
/* >>> nrx solve (declarations) */
#ifndef NRX_SOLVE_VERSION
#define NRX_SOLVE_VERSION 3311959833
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
#elif NRX_SOLVE_VERSION != 3311959833
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

#ifdef __cplusplus
}
#endif
#endif /* NRX_OPTIM_H */

#if (defined(NRX_OPTIM_IMPLEMENTATION) || defined(NRX_IMPLEMENTATION) || defined(NRX_STATIC)) && !defined(NRX_OPTIM_IMPL_DONE_)
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
#define NRXI_GEMM_VERSION 2118826157
/* C = alpha op(A) op(B) + beta C, row-major. Both operands are seen through two strides, so that a transpose is a swap of
   strides. A register tile of mr x nr entries of C is summed over at most NRXI_GEMM_KC terms by one of the `tile` kernels
   (the only code that differs between instruction sets), then scaled into C. Two ways to feed the tiles:
     direct  A is read in place, B in place or through one panel on the stack; for small and skinny problems
     packed  both operands are first copied into panels in the caller's workspace; for large problems
   Work is cut by problem size alone and no sum is split over threads: the bits do not depend on their number. */
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
    NRXI_GEMM_KC = 256,      /* terms per pass over a tile: a B panel of one pass stays in the first-level cache */
    NRXI_GEMM_SUPER = 3072,  /* packed rows (and columns) at a time: bounds the workspace */
    NRXI_GEMM_MC = 96,       /* rows of a parallel chunk: its A panels stay in the second-level cache */
    NRXI_GEMM_NC = 512,      /* columns of a parallel chunk */
    NRXI_GEMM_SKINNY_KC = 32, /* skinny: rows of B read side by side */
    NRXI_GEMM_SKINNY_FAR = 8, /* the same when B is too large for the caches */
    NRXI_GEMM_SKINNY_SUMS = 4096, /* skinny: sums kept at a time */
    NRXI_GEMM_DOT_KC = 2048, /* skinny: terms per pass of scalar products */
    NRXI_GEMM_DOT_BYTES = 32768, /* the same: bytes of the short operand brought into order */
    NRXI_GEMM_MR = 8,        /* the largest tile any kernel has, in rows and in bytes per row */
    NRXI_GEMM_ROW_BYTES = 128
};

#define NRXI_GEMM_CUT 1e6 /* multiplications from which a product is cut into chunks */

NRXI_FN size_t nrxi_gemm_min(size_t a, size_t b) { return a < b ? a : b; }
NRXI_FN size_t nrxi_gemm_round(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }
NRXI_FN int nrxi_gemm_fits_int(size_t a, size_t b, size_t c) { return a <= 0x7fffffff && b <= 0x7fffffff && c <= 0x7fffffff; }
NRXI_FN void nrxi_gemm_jobs(int serial, const nrx_env *env, size_t chunks, void (*job)(void *arg, size_t chunk), void *arg)
{
    size_t chunk;
    if (!serial) nrxi_parallel(env, chunks, job, arg);
    else for (chunk = 0; chunk < chunks; chunk++) job(arg, chunk);
}

/* Vector tiles, rows times one or two vectors. X is applied to each row number, S names the vector's SPLAT and FMA. */
#define NRXI_GEMM_ROWS3(X, S) X(0, S) X(1, S) X(2, S)
#define NRXI_GEMM_ROWS4(X, S) NRXI_GEMM_ROWS3(X, S) X(3, S)
#define NRXI_GEMM_ROWS6(X, S) NRXI_GEMM_ROWS4(X, S) X(4, S) X(5, S)
#define NRXI_GEMM_ROWS8(X, S) NRXI_GEMM_ROWS6(X, S) X(6, S) X(7, S)
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
/* The four tiles of an instruction set: 0 whole, 1 half the rows, 2 half the columns, 3 both; and sums[i*2 + j] = sum_p x_i[p] y_j[p]
   over 4 rows x and 2 rows y, lanes folded in order. */
#define NRXI_GEMM_DOT1(i, S)                                             \
    {                                                                    \
        const v t = *(const vu *)(x[i] + p);                             \
        x##i = NRXI_GEMM_FMA_##S(t, b0, x##i);                           \
        y##i = NRXI_GEMM_FMA_##S(t, b1, y##i);                           \
    }
#define NRXI_GEMM_DOTINIT(i, S) v x##i = zero, y##i = zero;
#define NRXI_GEMM_DOTSTORE(i, S) *(vu *)lane[2 * i] = x##i; *(vu *)lane[2 * i + 1] = y##i;
#define NRXI_GEMM_KIT(set, target, elem, F, part, vec, ROWS, HALF, S)                                                         \
    NRXI_GEMM_TILE2(nrxi_gemm_tile_##set##_##F, target, elem, vec, ROWS, S)                                                \
    NRXI_GEMM_TILE2(nrxi_gemm_tile1_##set##_##F, target, elem, vec, HALF, S)                                               \
    NRXI_GEMM_TILE1(nrxi_gemm_tile2_##set##_##F, target, elem, vec, ROWS, S)                                               \
    NRXI_GEMM_TILE1(nrxi_gemm_tile3_##set##_##F, target, elem, vec, HALF, S)                                               \
    target NRXI_FN void nrxi_gemm_dot_##set##_##F(size_t k, const elem *const x[4], const elem *const y[2], elem sums[8])  \
    {                                                                                                                      \
        typedef vec v;                                                                                                     \
        typedef vec##u vu;                                                                                                 \
        enum { lanes = sizeof(v) / sizeof(elem) };                                                                         \
        const v zero = {0};                                                                                                \
        elem lane[8][lanes], s;                                                                                            \
        size_t p, q, i;                                                                                                    \
        NRXI_GEMM_ROWS4(NRXI_GEMM_DOTINIT, S)                                                                              \
        for (p = 0; p + lanes <= k; p += lanes) {                                                                          \
            const v b0 = *(const vu *)(y[0] + p), b1 = *(const vu *)(y[1] + p);                                            \
            NRXI_GEMM_ROWS4(NRXI_GEMM_DOT1, S)                                                                             \
        }                                                                                                                  \
        NRXI_GEMM_ROWS4(NRXI_GEMM_DOTSTORE, S)                                                                             \
        for (i = 0; i < 8; i++) {                                                                                          \
            part sum = *(const part##u *)lane[i];                                                                          \
            for (q = sizeof(part) / sizeof(elem); q < lanes; q += sizeof(part) / sizeof(elem))                             \
                sum += (part)*(const part##u *)(lane[i] + q);                                                              \
            for (s = sum[0], q = 1; q < sizeof(part) / sizeof(elem); q++) s += sum[q];                                     \
            for (q = p; q < k; q++) s += x[i / 2][q] * y[i % 2][q];                                                        \
            sums[i] = s;                                                                                                   \
        }                                                                                                                  \
    }
#if defined(NRXI_VEC)
#define NRXI_GEMM_SPLAT_F32X4(s) {s, s, s, s}
#define NRXI_GEMM_SPLAT_F64X2(s) {s, s}
#define NRXI_GEMM_FMA_F32X4(a, b, c) ((a) * (b) + (c))
#define NRXI_GEMM_FMA_F64X2(a, b, c) ((a) * (b) + (c))
NRXI_GEMM_KIT(v16, , float, f32, nrxi_f32x4, nrxi_f32x4, NRXI_GEMM_ROWS6, NRXI_GEMM_ROWS3, F32X4)
NRXI_GEMM_KIT(v16, , double, f64, nrxi_f64x2, nrxi_f64x2, NRXI_GEMM_ROWS6, NRXI_GEMM_ROWS3, F64X2)
#endif
#if defined(NRXI_X86)
#define NRXI_GEMM_SPLAT_F32X8(s) (nrxi_f32x8)_mm256_set1_ps(s)
#define NRXI_GEMM_SPLAT_F64X4(s) (nrxi_f64x4)_mm256_set1_pd(s)
#define NRXI_GEMM_SPLAT_F32X16(s) (nrxi_f32x16)_mm512_set1_ps(s)
#define NRXI_GEMM_SPLAT_F64X8(s) (nrxi_f64x8)_mm512_set1_pd(s)
#define NRXI_GEMM_FMA_F32X8(a, b, c) (nrxi_f32x8)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c))
#define NRXI_GEMM_FMA_F64X4(a, b, c) (nrxi_f64x4)_mm256_fmadd_pd((__m256d)(a), (__m256d)(b), (__m256d)(c))
#define NRXI_GEMM_FMA_F32X16(a, b, c) (nrxi_f32x16)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c))
#define NRXI_GEMM_FMA_F64X8(a, b, c) (nrxi_f64x8)_mm512_fmadd_pd((__m512d)(a), (__m512d)(b), (__m512d)(c))
NRXI_GEMM_KIT(avx2, NRXI_AVX2, float, f32, nrxi_f32x4, nrxi_f32x8, NRXI_GEMM_ROWS6, NRXI_GEMM_ROWS3, F32X8)
NRXI_GEMM_KIT(avx2, NRXI_AVX2, double, f64, nrxi_f64x2, nrxi_f64x4, NRXI_GEMM_ROWS6, NRXI_GEMM_ROWS3, F64X4)
NRXI_GEMM_KIT(avx512, NRXI_AVX512, float, f32, nrxi_f32x4, nrxi_f32x16, NRXI_GEMM_ROWS8, NRXI_GEMM_ROWS4, F32X16)
NRXI_GEMM_KIT(avx512, NRXI_AVX512, double, f64, nrxi_f64x2, nrxi_f64x8, NRXI_GEMM_ROWS8, NRXI_GEMM_ROWS4, F64X8)
#endif

enum { NRXI_GEMM_TURN_F32 = 4, NRXI_GEMM_TURN_F64 = 2 }; /* entries in 16 bytes */
/* Transposes that many rows of x (rows xs apart) into columns of out (columns `full` apart), as many whole vectors of the k entries as
   there are; the count of entries done. */
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

/* >>> twin f64 */
/* The tile in plain C: four rows of 32 bytes (one of them wide enough for every element type). */
NRXI_FN void nrxi_gemm_tile_c_f64(size_t k, const double *a, size_t ars, size_t acs, const double *b, size_t brs,
                                  double alpha, double beta, double *c, size_t ldc)
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

typedef void (*nrxi_gemm_tile_fn_f64)(size_t k, const double *a, size_t ars, size_t acs, const double *b, size_t brs, double alpha,
                                      double beta, double *c, size_t ldc);

/* One call as its jobs see it. */
typedef struct nrxi_gemm_call_f64 {
    size_t m, n, k;
    const double *a, *b;           /* op(A)[i][p] = a[i*ars + p*acs], op(B)[p][j] = b[p*brs + j*bcs] */
    double *c;                     /* C[i][j] = c[i*crs + j*ccs]; ccs is 1 but in skinny calls */
    size_t ars, acs, brs, bcs, crs, ccs;
    double alpha, beta;
    nrxi_gemm_tile_fn_f64 tile[4];  /* whole, half the rows, half the columns, both */
    void (*dot)(size_t k, const double *const x[4], const double *const y[2], double sums[8]);
    size_t mr, nr, mh, nh;         /* rows and columns of the whole tile and of its halves */
    size_t width, height;          /* direct: columns and rows of a chunk; skinny: columns */
    int serial;                    /* inside a job already: no threads */
    double *pa, *pb;               /* packed: panels of mr rows of A (NULL: A is read in place), of nr columns of B, for kc terms */
    size_t i0, rows, j0, cols;     /* packed: the part of C at hand */
    size_t p0, kc, mc, nc;
} nrxi_gemm_call_f64;

#define NRXI_GEMM_TAKE(set, F)                            \
    g->tile[0] = nrxi_gemm_tile_##set##_##F;              \
    g->tile[1] = nrxi_gemm_tile1_##set##_##F;             \
    g->tile[2] = nrxi_gemm_tile2_##set##_##F;             \
    g->tile[3] = nrxi_gemm_tile3_##set##_##F;             \
    g->dot = nrxi_gemm_dot_##set##_##F;
NRXI_FN void nrxi_gemm_choose_f64(nrxi_gemm_call_f64 *g)
{
    g->dot = NULL;
#if defined(NRXI_VEC)
    g->mr = 6;
    g->nr = 32 / sizeof(double);
#if defined(NRXI_X86)
    if (nrxi_cpu_avx512()) {
        NRXI_GEMM_TAKE(avx512, f64)
        g->mr = 8;
        g->nr = 128 / sizeof(double);
    } else if (nrxi_cpu_avx2()) {
        NRXI_GEMM_TAKE(avx2, f64)
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
NRXI_FN void nrxi_gemm_pack_f64(size_t k, size_t count, size_t full, const double *x, size_t xs, size_t ps, double *out)
{
    size_t i = 0, p;
    if (xs == 1 && count == full) {
        for (p = 0; p < k; p++, x += ps, out += full)
            for (i = 0; i < full; i += NRXI_GEMM_TURN_F64) memcpy(out + i, x + i, NRXI_GEMM_TURN_F64 * sizeof *x);
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
NRXI_FN void nrxi_gemm_merge_f64(const nrxi_gemm_call_f64 *g, size_t rows, size_t cols, const double *t, size_t ts, double beta, double *c)
{
    size_t i, j;
    for (i = 0; i < rows; i++)
        for (j = 0; j < cols; j++) {
            double *at = c + i * g->crs + j * g->ccs;
            *at = beta == 0 ? t[i * ts + j] : t[i * ts + j] + beta * *at;
        }
}

/* One panel of B (cols columns, readable as far as the tile is wide) against m rows of A: row i starts at a + i*step; with step ars A is
   read in place, else it is in panels, padded with zeros. A tile that sticks out of C goes through a buffer. */
NRXI_FN void nrxi_gemm_sweep_f64(const nrxi_gemm_call_f64 *g, size_t m, size_t cols, size_t k, const double *a, size_t step,
                                 size_t ars, size_t acs, const double *b, size_t brs, double beta, double *c)
{
    double rest[NRXI_GEMM_KC * NRXI_GEMM_MR], t[NRXI_GEMM_MR * NRXI_GEMM_ROW_BYTES / sizeof(double)];
    size_t i, rows, narrow = cols <= g->nh, width = narrow ? g->nh : g->nr;
    for (i = 0; i < m; i += g->mr, a += g->mr * step, c += g->mr * g->crs) {
        size_t few, height;
        rows = nrxi_gemm_min(m - i, g->mr);
        few = rows <= g->mh;
        height = few ? g->mh : g->mr;
        if (rows == height && cols == width) {
            g->tile[few + 2 * narrow](k, a, ars, acs, b, brs, g->alpha, beta, c, g->crs);
            continue;
        }
        if (rows == height || step != ars) g->tile[few + 2 * narrow](k, a, ars, acs, b, brs, g->alpha, 0, t, width);
        else {
            nrxi_gemm_pack_f64(k, rows, height, a, ars, acs, rest);
            g->tile[few + 2 * narrow](k, rest, 1, height, b, brs, g->alpha, 0, t, width);
        }
        nrxi_gemm_merge_f64(g, rows, cols, t, width, beta, c);
    }
}

/* Direct: one chunk of C, panel by panel of B. */
NRXI_FN void nrxi_gemm_direct_job_f64(void *arg, size_t chunk)
{
    const nrxi_gemm_call_f64 *g = (const nrxi_gemm_call_f64 *)arg;
    double panel[NRXI_GEMM_KC * NRXI_GEMM_ROW_BYTES / sizeof(double)];
    size_t across = (g->n + g->width - 1) / g->width, i = chunk / across * g->height, j = chunk % across * g->width;
    size_t rows = nrxi_gemm_min(g->m - i, g->height), end = nrxi_gemm_min(g->n, j + g->width), p, kc, cols, brs;
    for (; j < end; j += g->nr)
        for (p = 0; p < g->k; p += kc) {
            const double *b = g->b + p * g->brs + j * g->bcs;
            kc = nrxi_gemm_min(g->k - p, NRXI_GEMM_KC);
            cols = nrxi_gemm_min(end - j, g->nr);
            brs = g->brs;
            if (g->bcs != 1 || (cols != g->nr && cols != g->nh) || rows > 16 * g->mr) {
                nrxi_gemm_pack_f64(kc, cols, g->nr, b, g->bcs, brs, panel);
                b = panel;
                brs = g->nr;
            }
            nrxi_gemm_sweep_f64(g, rows, cols, kc, g->a + i * g->ars + p * g->acs, g->ars, g->ars, g->acs, b, brs,
                                p ? (double)1 : g->beta, g->c + i * g->crs + j);
        }
}

#if defined(NRXI_VEC)
/* Skinny, one of m and n at most 16: what matters is to read the long operand once and in order. The callers exchange A and B (and
   transpose C) so that B is the long one. */

/* B's columns follow each other in memory (bcs 1): the few rows of C for one range of columns are kept in the first-level cache while
   all rows of B pass by, NRXI_GEMM_SKINNY_KC streams at a time. */
NRXI_FN void nrxi_gemm_stream_job_f64(void *arg, size_t chunk)
{
    const nrxi_gemm_call_f64 *g = (const nrxi_gemm_call_f64 *)arg;
    double t[NRXI_GEMM_SKINNY_SUMS], wide[NRXI_GEMM_SKINNY_KC * NRXI_GEMM_ROW_BYTES / sizeof(double)], few[NRXI_GEMM_SKINNY_KC * NRXI_GEMM_MR];
    size_t j0 = chunk * g->width, count = nrxi_gemm_min(g->n - j0, g->width), i, j, p, kc, rows, height;
    int far_away = (double)g->k * (double)g->n * sizeof(double) > 1e6;
    for (p = 0; p < g->k; p += kc) {
        kc = nrxi_gemm_min(g->k - p, far_away ? NRXI_GEMM_SKINNY_FAR : NRXI_GEMM_SKINNY_KC);
        for (i = 0; i < g->m; i += rows) {
            rows = nrxi_gemm_min(g->m - i, g->mr);
            height = rows <= g->mh ? g->mh : g->mr;
            nrxi_gemm_pack_f64(kc, rows, height, g->a + i * g->ars + p * g->acs, g->ars, g->acs, few);
            for (j = 0; j < count; j += g->nr) {
                const double *b = g->b + p * g->brs + j0 + j;
                size_t brs = g->brs;
                if (count - j < g->nr) {
                    nrxi_gemm_pack_f64(kc, count - j, g->nr, b, 1, brs, wide);
                    b = wide;
                    brs = g->nr;
                }
                g->tile[height < g->mr](kc, few, 1, height, b, brs, g->alpha, p ? (double)1 : (double)0, t + i * g->width + j, g->width);
            }
        }
    }
    nrxi_gemm_merge_f64(g, g->m, count, t, g->width, g->beta, g->c + j0 * g->ccs);
}

/* B's rows follow each other in memory (brs 1): entries of C are scalar products, four columns of B with two rows of A at a time. */
NRXI_FN void nrxi_gemm_dot_job_f64(void *arg, size_t chunk)
{
    const nrxi_gemm_call_f64 *g = (const nrxi_gemm_call_f64 *)arg;
    double few[NRXI_GEMM_DOT_BYTES / sizeof(double)], sums[8];
    const double *x[4], *y[2];
    size_t j0 = chunk * g->width, j1 = nrxi_gemm_min(g->n, j0 + g->width), step = NRXI_GEMM_DOT_KC;
    size_t i, j, p, kc, q;
    if (g->acs != 1) step = nrxi_gemm_min(step, NRXI_GEMM_DOT_BYTES / sizeof(double) / g->m);
    for (p = 0; p < g->k; p += kc) {
        kc = nrxi_gemm_min(g->k - p, step);
        if (g->acs != 1)
            for (i = 0; i < g->m; i++)
                for (q = 0; q < kc; q++) few[i * step + q] = g->a[i * g->ars + (p + q) * g->acs];
        for (j = j0; j < j1; j += 4) {
            for (q = 0; q < 4; q++) x[q] = g->b + nrxi_gemm_min(j + q, j1 - 1) * g->bcs + p;
            for (i = 0; i < g->m; i += 2) {
                for (q = 0; q < 2; q++) {
                    size_t row = nrxi_gemm_min(i + q, g->m - 1);
                    y[q] = g->acs == 1 ? g->a + row * g->ars + p : few + row * step;
                }
                g->dot(kc, x, y, sums);
                for (q = 0; q < 8; q++)
                    if (j + q / 2 < j1 && i + q % 2 < g->m) {
                        double *at = g->c + (i + q % 2) * g->crs + (j + q / 2) * g->ccs, s = g->alpha * sums[q];
                        *at = p ? *at + s : g->beta == 0 ? s : s + g->beta * *at;
                    }
            }
        }
    }
}

/* Does a skinny call; 0 when it is not one. */
NRXI_FN int nrxi_gemm_skinny_f64(nrxi_gemm_call_f64 *g, const nrx_env *env)
{
    nrxi_gemm_call_f64 o = *g;
    if (g->m > 16 && g->n > 16) return 0;
    if (g->m > g->n) { /* C^T = op(B)^T op(A)^T */
        o.m = g->n; o.n = g->m;
        o.a = g->b; o.ars = g->bcs; o.acs = g->brs;
        o.b = g->a; o.brs = g->acs; o.bcs = g->ars;
        o.crs = g->ccs; o.ccs = g->crs;
    }
    if (o.n < 64 || (double)o.n * (double)o.k < 4096.0) return 0;
    if (o.bcs == 1) {
        size_t rows = nrxi_gemm_round(o.m, o.m <= o.mh ? o.mh : o.mr);
        o.width = NRXI_GEMM_SKINNY_SUMS / rows / o.nr * o.nr;
        nrxi_gemm_jobs(g->serial, env, (o.n + o.width - 1) / o.width, nrxi_gemm_stream_job_f64, &o);
        return 1;
    }
    if (o.brs != 1 || o.k < 32) return 0;
    o.width = nrxi_gemm_round(524288 / nrxi_gemm_min(o.k, 16384), 4);
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
            nrxi_gemm_pack_f64(g->kc, count, g->mr, g->a + (g->i0 + i) * g->ars + g->p0 * g->acs, g->ars, g->acs,
                               g->pa + i * g->kc);
        }
    } else {
        i = (chunk - a_chunks) * g->nc;
        end = nrxi_gemm_min(g->cols, i + g->nc);
        for (; i < end; i += g->nr) {
            count = nrxi_gemm_min(end - i, g->nr);
            nrxi_gemm_pack_f64(g->kc, count, g->nr, g->b + g->p0 * g->brs + (g->j0 + i) * g->bcs, g->bcs, g->brs,
                               g->pb + i * g->kc);
        }
    }
}

/* Packed, second half: one mc x nc block of C. */
NRXI_FN void nrxi_gemm_block_job_f64(void *arg, size_t chunk)
{
    const nrxi_gemm_call_f64 *g = (const nrxi_gemm_call_f64 *)arg;
    size_t across = (g->cols + g->nc - 1) / g->nc, i0 = chunk / across * g->mc, j = chunk % across * g->nc;
    size_t i1 = nrxi_gemm_min(g->rows, i0 + g->mc), j1 = nrxi_gemm_min(g->cols, j + g->nc);
    double beta = g->p0 ? (double)1 : g->beta;
    for (; j < j1; j += g->nr) {
        const double *b = g->pb + j * g->kc;
        double *c = g->c + (g->i0 + i0) * g->crs + g->j0 + j;
        if (g->pa) nrxi_gemm_sweep_f64(g, i1 - i0, nrxi_gemm_min(j1 - j, g->nr), g->kc, g->pa + i0 * g->kc, g->kc, 1, g->mr, b, g->nr, beta, c);
        else nrxi_gemm_sweep_f64(g, i1 - i0, nrxi_gemm_min(j1 - j, g->nr), g->kc, g->a + (g->i0 + i0) * g->ars + g->p0 * g->acs, g->ars, g->ars, g->acs, b, g->nr, beta, c);
    }
}

NRXI_FN void nrxi_gemm_packed_f64(nrxi_gemm_call_f64 *g, double *work, const nrx_env *env)
{
    size_t down, across;
    g->pb = work;
    for (g->j0 = 0; g->j0 < g->n; g->j0 += g->cols) {
        g->cols = nrxi_gemm_min(g->n - g->j0, NRXI_GEMM_SUPER);
        g->nc = nrxi_gemm_round(g->cols / ((g->cols + NRXI_GEMM_NC - 1) / NRXI_GEMM_NC) + 1, g->nr);
        for (g->i0 = 0; g->i0 < g->m; g->i0 += g->rows) {
            g->rows = nrxi_gemm_min(g->m - g->i0, NRXI_GEMM_SUPER);
            g->mc = nrxi_gemm_round(g->rows / ((g->rows + NRXI_GEMM_MC - 1) / NRXI_GEMM_MC) + 1, g->mr);
            down = (g->rows + g->mc - 1) / g->mc;
            across = (g->cols + g->nc - 1) / g->nc;
            for (g->p0 = 0; g->p0 < g->k; g->p0 += g->kc) {
                g->kc = nrxi_gemm_min(g->k - g->p0, NRXI_GEMM_KC);
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
    return (rows + NRXI_GEMM_MR + cols + NRXI_GEMM_ROW_BYTES / sizeof(double)) * nrxi_gemm_min(k, NRXI_GEMM_KC);
}

/* C = beta C; beta 0 never reads C. */
NRXI_FN void nrxi_gemm_scale_f64(size_t m, size_t n, double beta, double *c, size_t ldc)
{
    size_t i, j;
    if (beta == 1) return;
    for (i = 0; i < m; i++, c += ldc)
        for (j = 0; j < n; j++) c[j] = beta == 0 ? (double)0 : beta * c[j];
}

NRXI_FN void nrxi_gemm_setup_f64(nrxi_gemm_call_f64 *g, int ta, int tb, size_t m, size_t n, size_t k, double alpha, const double *a,
                                 size_t lda, const double *b, size_t ldb, double beta, double *c, size_t ldc)
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
    if (nrxi_gemm_skinny_f64(g, env)) return;
    if (work && nrxi_gemm_work_f64(g->m, g->n, g->k)) { nrxi_gemm_packed_f64(g, work, env); return; }
    g->width = g->n;
    g->height = g->m;
    if ((double)g->m * (double)g->n * (double)g->k > NRXI_GEMM_CUT) { /* about eight chunks, by columns first */
        g->width = nrxi_gemm_round((g->n + 7) / 8, g->nr);
        across = (g->n + g->width - 1) / g->width;
        down = nrxi_gemm_min((7 + across) / across, (g->m + NRXI_GEMM_MC - 1) / NRXI_GEMM_MC);
        g->height = nrxi_gemm_round((g->m + down - 1) / down, g->mr);
    }
    nrxi_gemm_jobs(g->serial, env, ((g->n + g->width - 1) / g->width) * ((g->m + g->height - 1) / g->height),
                   nrxi_gemm_direct_job_f64, g);
}

/* C (m x n, rows ldc apart) = alpha op(A) op(B) + beta C; ta, tb non-zero: A is stored k x m, B n x k. Beta 0 never reads C, alpha 0
   never A or B. C must not overlap A or B. `work`: nrxi_gemm_work_f64(m, n, k) elements, or NULL for the direct way. env NULL = the
   defaults. The caller has checked the arguments. */
NRXI_FN void nrxi_gemm_f64(int ta, int tb, size_t m, size_t n, size_t k, double alpha, const double *a, size_t lda,
                           const double *b, size_t ldb, double beta, double *c, size_t ldc, double *work, const nrx_env *env)
{
    nrxi_gemm_call_f64 g;
    if (m == 0 || n == 0) return;
    if (k == 0 || alpha == 0) { nrxi_gemm_scale_f64(m, n, beta, c, ldc); return; }
#if defined(NRX_USE_CBLAS)
    if (nrxi_gemm_fits_int(m, n, k) && nrxi_gemm_fits_int(lda, ldb, ldc)) {
        NRXI_GEMM_CBLAS_F64(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k,
                            alpha, a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
        return;
    }
#endif
    nrxi_gemm_setup_f64(&g, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    nrxi_gemm_run_f64(&g, work, env);
}

/* The same for `batch` products whose matrices lie sa, sb, sc elements apart (sa or sb 0: one matrix for all). Small products are
   shared among threads as wholes. */
typedef struct nrxi_gemm_batch_call_f64 { nrxi_gemm_call_f64 one; size_t sa, sb, sc, batch, group; } nrxi_gemm_batch_call_f64;
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
NRXI_FN void nrxi_gemm_batch_f64(int ta, int tb, size_t m, size_t n, size_t k, double alpha, const double *a, size_t lda, size_t sa,
                                 const double *b, size_t ldb, size_t sb, double beta, double *c, size_t ldc, size_t sc, size_t batch,
                                 double *work, const nrx_env *env)
{
    nrxi_gemm_batch_call_f64 all;
    double cost = (double)m * (double)n * (double)k;
    size_t i;
    if (m == 0 || n == 0) return;
    if (k == 0 || alpha == 0 || cost > 16 * NRXI_GEMM_CUT) {
        for (i = 0; i < batch; i++)
            nrxi_gemm_f64(ta, tb, m, n, k, alpha, a + i * sa, lda, b + i * sb, ldb, beta, c + i * sc, ldc, work, env);
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
NRXI_FN void nrxi_gemm_tile_c_f32(size_t k, const float *a, size_t ars, size_t acs, const float *b, size_t brs,
                                  float alpha, float beta, float *c, size_t ldc)
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

typedef void (*nrxi_gemm_tile_fn_f32)(size_t k, const float *a, size_t ars, size_t acs, const float *b, size_t brs, float alpha,
                                      float beta, float *c, size_t ldc);

/* One call as its jobs see it. */
typedef struct nrxi_gemm_call_f32 {
    size_t m, n, k;
    const float *a, *b;           /* op(A)[i][p] = a[i*ars + p*acs], op(B)[p][j] = b[p*brs + j*bcs] */
    float *c;                     /* C[i][j] = c[i*crs + j*ccs]; ccs is 1 but in skinny calls */
    size_t ars, acs, brs, bcs, crs, ccs;
    float alpha, beta;
    nrxi_gemm_tile_fn_f32 tile[4];  /* whole, half the rows, half the columns, both */
    void (*dot)(size_t k, const float *const x[4], const float *const y[2], float sums[8]);
    size_t mr, nr, mh, nh;         /* rows and columns of the whole tile and of its halves */
    size_t width, height;          /* direct: columns and rows of a chunk; skinny: columns */
    int serial;                    /* inside a job already: no threads */
    float *pa, *pb;               /* packed: panels of mr rows of A (NULL: A is read in place), of nr columns of B, for kc terms */
    size_t i0, rows, j0, cols;     /* packed: the part of C at hand */
    size_t p0, kc, mc, nc;
} nrxi_gemm_call_f32;

#define NRXI_GEMM_TAKE(set, F)                            \
    g->tile[0] = nrxi_gemm_tile_##set##_##F;              \
    g->tile[1] = nrxi_gemm_tile1_##set##_##F;             \
    g->tile[2] = nrxi_gemm_tile2_##set##_##F;             \
    g->tile[3] = nrxi_gemm_tile3_##set##_##F;             \
    g->dot = nrxi_gemm_dot_##set##_##F;
NRXI_FN void nrxi_gemm_choose_f32(nrxi_gemm_call_f32 *g)
{
    g->dot = NULL;
#if defined(NRXI_VEC)
    g->mr = 6;
    g->nr = 32 / sizeof(float);
#if defined(NRXI_X86)
    if (nrxi_cpu_avx512()) {
        NRXI_GEMM_TAKE(avx512, f32)
        g->mr = 8;
        g->nr = 128 / sizeof(float);
    } else if (nrxi_cpu_avx2()) {
        NRXI_GEMM_TAKE(avx2, f32)
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
NRXI_FN void nrxi_gemm_pack_f32(size_t k, size_t count, size_t full, const float *x, size_t xs, size_t ps, float *out)
{
    size_t i = 0, p;
    if (xs == 1 && count == full) {
        for (p = 0; p < k; p++, x += ps, out += full)
            for (i = 0; i < full; i += NRXI_GEMM_TURN_F32) memcpy(out + i, x + i, NRXI_GEMM_TURN_F32 * sizeof *x);
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
NRXI_FN void nrxi_gemm_merge_f32(const nrxi_gemm_call_f32 *g, size_t rows, size_t cols, const float *t, size_t ts, float beta, float *c)
{
    size_t i, j;
    for (i = 0; i < rows; i++)
        for (j = 0; j < cols; j++) {
            float *at = c + i * g->crs + j * g->ccs;
            *at = beta == 0 ? t[i * ts + j] : t[i * ts + j] + beta * *at;
        }
}

/* One panel of B (cols columns, readable as far as the tile is wide) against m rows of A: row i starts at a + i*step; with step ars A is
   read in place, else it is in panels, padded with zeros. A tile that sticks out of C goes through a buffer. */
NRXI_FN void nrxi_gemm_sweep_f32(const nrxi_gemm_call_f32 *g, size_t m, size_t cols, size_t k, const float *a, size_t step,
                                 size_t ars, size_t acs, const float *b, size_t brs, float beta, float *c)
{
    float rest[NRXI_GEMM_KC * NRXI_GEMM_MR], t[NRXI_GEMM_MR * NRXI_GEMM_ROW_BYTES / sizeof(float)];
    size_t i, rows, narrow = cols <= g->nh, width = narrow ? g->nh : g->nr;
    for (i = 0; i < m; i += g->mr, a += g->mr * step, c += g->mr * g->crs) {
        size_t few, height;
        rows = nrxi_gemm_min(m - i, g->mr);
        few = rows <= g->mh;
        height = few ? g->mh : g->mr;
        if (rows == height && cols == width) {
            g->tile[few + 2 * narrow](k, a, ars, acs, b, brs, g->alpha, beta, c, g->crs);
            continue;
        }
        if (rows == height || step != ars) g->tile[few + 2 * narrow](k, a, ars, acs, b, brs, g->alpha, 0, t, width);
        else {
            nrxi_gemm_pack_f32(k, rows, height, a, ars, acs, rest);
            g->tile[few + 2 * narrow](k, rest, 1, height, b, brs, g->alpha, 0, t, width);
        }
        nrxi_gemm_merge_f32(g, rows, cols, t, width, beta, c);
    }
}

/* Direct: one chunk of C, panel by panel of B. */
NRXI_FN void nrxi_gemm_direct_job_f32(void *arg, size_t chunk)
{
    const nrxi_gemm_call_f32 *g = (const nrxi_gemm_call_f32 *)arg;
    float panel[NRXI_GEMM_KC * NRXI_GEMM_ROW_BYTES / sizeof(float)];
    size_t across = (g->n + g->width - 1) / g->width, i = chunk / across * g->height, j = chunk % across * g->width;
    size_t rows = nrxi_gemm_min(g->m - i, g->height), end = nrxi_gemm_min(g->n, j + g->width), p, kc, cols, brs;
    for (; j < end; j += g->nr)
        for (p = 0; p < g->k; p += kc) {
            const float *b = g->b + p * g->brs + j * g->bcs;
            kc = nrxi_gemm_min(g->k - p, NRXI_GEMM_KC);
            cols = nrxi_gemm_min(end - j, g->nr);
            brs = g->brs;
            if (g->bcs != 1 || (cols != g->nr && cols != g->nh) || rows > 16 * g->mr) {
                nrxi_gemm_pack_f32(kc, cols, g->nr, b, g->bcs, brs, panel);
                b = panel;
                brs = g->nr;
            }
            nrxi_gemm_sweep_f32(g, rows, cols, kc, g->a + i * g->ars + p * g->acs, g->ars, g->ars, g->acs, b, brs,
                                p ? (float)1 : g->beta, g->c + i * g->crs + j);
        }
}

#if defined(NRXI_VEC)
/* Skinny, one of m and n at most 16: what matters is to read the long operand once and in order. The callers exchange A and B (and
   transpose C) so that B is the long one. */

/* B's columns follow each other in memory (bcs 1): the few rows of C for one range of columns are kept in the first-level cache while
   all rows of B pass by, NRXI_GEMM_SKINNY_KC streams at a time. */
NRXI_FN void nrxi_gemm_stream_job_f32(void *arg, size_t chunk)
{
    const nrxi_gemm_call_f32 *g = (const nrxi_gemm_call_f32 *)arg;
    float t[NRXI_GEMM_SKINNY_SUMS], wide[NRXI_GEMM_SKINNY_KC * NRXI_GEMM_ROW_BYTES / sizeof(float)], few[NRXI_GEMM_SKINNY_KC * NRXI_GEMM_MR];
    size_t j0 = chunk * g->width, count = nrxi_gemm_min(g->n - j0, g->width), i, j, p, kc, rows, height;
    int far_away = (float)g->k * (float)g->n * sizeof(float) > 1e6;
    for (p = 0; p < g->k; p += kc) {
        kc = nrxi_gemm_min(g->k - p, far_away ? NRXI_GEMM_SKINNY_FAR : NRXI_GEMM_SKINNY_KC);
        for (i = 0; i < g->m; i += rows) {
            rows = nrxi_gemm_min(g->m - i, g->mr);
            height = rows <= g->mh ? g->mh : g->mr;
            nrxi_gemm_pack_f32(kc, rows, height, g->a + i * g->ars + p * g->acs, g->ars, g->acs, few);
            for (j = 0; j < count; j += g->nr) {
                const float *b = g->b + p * g->brs + j0 + j;
                size_t brs = g->brs;
                if (count - j < g->nr) {
                    nrxi_gemm_pack_f32(kc, count - j, g->nr, b, 1, brs, wide);
                    b = wide;
                    brs = g->nr;
                }
                g->tile[height < g->mr](kc, few, 1, height, b, brs, g->alpha, p ? (float)1 : (float)0, t + i * g->width + j, g->width);
            }
        }
    }
    nrxi_gemm_merge_f32(g, g->m, count, t, g->width, g->beta, g->c + j0 * g->ccs);
}

/* B's rows follow each other in memory (brs 1): entries of C are scalar products, four columns of B with two rows of A at a time. */
NRXI_FN void nrxi_gemm_dot_job_f32(void *arg, size_t chunk)
{
    const nrxi_gemm_call_f32 *g = (const nrxi_gemm_call_f32 *)arg;
    float few[NRXI_GEMM_DOT_BYTES / sizeof(float)], sums[8];
    const float *x[4], *y[2];
    size_t j0 = chunk * g->width, j1 = nrxi_gemm_min(g->n, j0 + g->width), step = NRXI_GEMM_DOT_KC;
    size_t i, j, p, kc, q;
    if (g->acs != 1) step = nrxi_gemm_min(step, NRXI_GEMM_DOT_BYTES / sizeof(float) / g->m);
    for (p = 0; p < g->k; p += kc) {
        kc = nrxi_gemm_min(g->k - p, step);
        if (g->acs != 1)
            for (i = 0; i < g->m; i++)
                for (q = 0; q < kc; q++) few[i * step + q] = g->a[i * g->ars + (p + q) * g->acs];
        for (j = j0; j < j1; j += 4) {
            for (q = 0; q < 4; q++) x[q] = g->b + nrxi_gemm_min(j + q, j1 - 1) * g->bcs + p;
            for (i = 0; i < g->m; i += 2) {
                for (q = 0; q < 2; q++) {
                    size_t row = nrxi_gemm_min(i + q, g->m - 1);
                    y[q] = g->acs == 1 ? g->a + row * g->ars + p : few + row * step;
                }
                g->dot(kc, x, y, sums);
                for (q = 0; q < 8; q++)
                    if (j + q / 2 < j1 && i + q % 2 < g->m) {
                        float *at = g->c + (i + q % 2) * g->crs + (j + q / 2) * g->ccs, s = g->alpha * sums[q];
                        *at = p ? *at + s : g->beta == 0 ? s : s + g->beta * *at;
                    }
            }
        }
    }
}

/* Does a skinny call; 0 when it is not one. */
NRXI_FN int nrxi_gemm_skinny_f32(nrxi_gemm_call_f32 *g, const nrx_env *env)
{
    nrxi_gemm_call_f32 o = *g;
    if (g->m > 16 && g->n > 16) return 0;
    if (g->m > g->n) { /* C^T = op(B)^T op(A)^T */
        o.m = g->n; o.n = g->m;
        o.a = g->b; o.ars = g->bcs; o.acs = g->brs;
        o.b = g->a; o.brs = g->acs; o.bcs = g->ars;
        o.crs = g->ccs; o.ccs = g->crs;
    }
    if (o.n < 64 || (float)o.n * (float)o.k < 4096.0) return 0;
    if (o.bcs == 1) {
        size_t rows = nrxi_gemm_round(o.m, o.m <= o.mh ? o.mh : o.mr);
        o.width = NRXI_GEMM_SKINNY_SUMS / rows / o.nr * o.nr;
        nrxi_gemm_jobs(g->serial, env, (o.n + o.width - 1) / o.width, nrxi_gemm_stream_job_f32, &o);
        return 1;
    }
    if (o.brs != 1 || o.k < 32) return 0;
    o.width = nrxi_gemm_round(524288 / nrxi_gemm_min(o.k, 16384), 4);
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
            nrxi_gemm_pack_f32(g->kc, count, g->mr, g->a + (g->i0 + i) * g->ars + g->p0 * g->acs, g->ars, g->acs,
                               g->pa + i * g->kc);
        }
    } else {
        i = (chunk - a_chunks) * g->nc;
        end = nrxi_gemm_min(g->cols, i + g->nc);
        for (; i < end; i += g->nr) {
            count = nrxi_gemm_min(end - i, g->nr);
            nrxi_gemm_pack_f32(g->kc, count, g->nr, g->b + g->p0 * g->brs + (g->j0 + i) * g->bcs, g->bcs, g->brs,
                               g->pb + i * g->kc);
        }
    }
}

/* Packed, second half: one mc x nc block of C. */
NRXI_FN void nrxi_gemm_block_job_f32(void *arg, size_t chunk)
{
    const nrxi_gemm_call_f32 *g = (const nrxi_gemm_call_f32 *)arg;
    size_t across = (g->cols + g->nc - 1) / g->nc, i0 = chunk / across * g->mc, j = chunk % across * g->nc;
    size_t i1 = nrxi_gemm_min(g->rows, i0 + g->mc), j1 = nrxi_gemm_min(g->cols, j + g->nc);
    float beta = g->p0 ? (float)1 : g->beta;
    for (; j < j1; j += g->nr) {
        const float *b = g->pb + j * g->kc;
        float *c = g->c + (g->i0 + i0) * g->crs + g->j0 + j;
        if (g->pa) nrxi_gemm_sweep_f32(g, i1 - i0, nrxi_gemm_min(j1 - j, g->nr), g->kc, g->pa + i0 * g->kc, g->kc, 1, g->mr, b, g->nr, beta, c);
        else nrxi_gemm_sweep_f32(g, i1 - i0, nrxi_gemm_min(j1 - j, g->nr), g->kc, g->a + (g->i0 + i0) * g->ars + g->p0 * g->acs, g->ars, g->ars, g->acs, b, g->nr, beta, c);
    }
}

NRXI_FN void nrxi_gemm_packed_f32(nrxi_gemm_call_f32 *g, float *work, const nrx_env *env)
{
    size_t down, across;
    g->pb = work;
    for (g->j0 = 0; g->j0 < g->n; g->j0 += g->cols) {
        g->cols = nrxi_gemm_min(g->n - g->j0, NRXI_GEMM_SUPER);
        g->nc = nrxi_gemm_round(g->cols / ((g->cols + NRXI_GEMM_NC - 1) / NRXI_GEMM_NC) + 1, g->nr);
        for (g->i0 = 0; g->i0 < g->m; g->i0 += g->rows) {
            g->rows = nrxi_gemm_min(g->m - g->i0, NRXI_GEMM_SUPER);
            g->mc = nrxi_gemm_round(g->rows / ((g->rows + NRXI_GEMM_MC - 1) / NRXI_GEMM_MC) + 1, g->mr);
            down = (g->rows + g->mc - 1) / g->mc;
            across = (g->cols + g->nc - 1) / g->nc;
            for (g->p0 = 0; g->p0 < g->k; g->p0 += g->kc) {
                g->kc = nrxi_gemm_min(g->k - g->p0, NRXI_GEMM_KC);
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
    return (rows + NRXI_GEMM_MR + cols + NRXI_GEMM_ROW_BYTES / sizeof(float)) * nrxi_gemm_min(k, NRXI_GEMM_KC);
}

/* C = beta C; beta 0 never reads C. */
NRXI_FN void nrxi_gemm_scale_f32(size_t m, size_t n, float beta, float *c, size_t ldc)
{
    size_t i, j;
    if (beta == 1) return;
    for (i = 0; i < m; i++, c += ldc)
        for (j = 0; j < n; j++) c[j] = beta == 0 ? (float)0 : beta * c[j];
}

NRXI_FN void nrxi_gemm_setup_f32(nrxi_gemm_call_f32 *g, int ta, int tb, size_t m, size_t n, size_t k, float alpha, const float *a,
                                 size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc)
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
    if (nrxi_gemm_skinny_f32(g, env)) return;
    if (work && nrxi_gemm_work_f32(g->m, g->n, g->k)) { nrxi_gemm_packed_f32(g, work, env); return; }
    g->width = g->n;
    g->height = g->m;
    if ((float)g->m * (float)g->n * (float)g->k > NRXI_GEMM_CUT) { /* about eight chunks, by columns first */
        g->width = nrxi_gemm_round((g->n + 7) / 8, g->nr);
        across = (g->n + g->width - 1) / g->width;
        down = nrxi_gemm_min((7 + across) / across, (g->m + NRXI_GEMM_MC - 1) / NRXI_GEMM_MC);
        g->height = nrxi_gemm_round((g->m + down - 1) / down, g->mr);
    }
    nrxi_gemm_jobs(g->serial, env, ((g->n + g->width - 1) / g->width) * ((g->m + g->height - 1) / g->height),
                   nrxi_gemm_direct_job_f32, g);
}

/* C (m x n, rows ldc apart) = alpha op(A) op(B) + beta C; ta, tb non-zero: A is stored k x m, B n x k. Beta 0 never reads C, alpha 0
   never A or B. C must not overlap A or B. `work`: nrxi_gemm_work_f32(m, n, k) elements, or NULL for the direct way. env NULL = the
   defaults. The caller has checked the arguments. */
NRXI_FN void nrxi_gemm_f32(int ta, int tb, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
                           const float *b, size_t ldb, float beta, float *c, size_t ldc, float *work, const nrx_env *env)
{
    nrxi_gemm_call_f32 g;
    if (m == 0 || n == 0) return;
    if (k == 0 || alpha == 0) { nrxi_gemm_scale_f32(m, n, beta, c, ldc); return; }
#if defined(NRX_USE_CBLAS)
    if (nrxi_gemm_fits_int(m, n, k) && nrxi_gemm_fits_int(lda, ldb, ldc)) {
        NRXI_GEMM_CBLAS_F32(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k,
                            alpha, a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
        return;
    }
#endif
    nrxi_gemm_setup_f32(&g, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    nrxi_gemm_run_f32(&g, work, env);
}

/* The same for `batch` products whose matrices lie sa, sb, sc elements apart (sa or sb 0: one matrix for all). Small products are
   shared among threads as wholes. */
typedef struct nrxi_gemm_batch_call_f32 { nrxi_gemm_call_f32 one; size_t sa, sb, sc, batch, group; } nrxi_gemm_batch_call_f32;
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
NRXI_FN void nrxi_gemm_batch_f32(int ta, int tb, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda, size_t sa,
                                 const float *b, size_t ldb, size_t sb, float beta, float *c, size_t ldc, size_t sc, size_t batch,
                                 float *work, const nrx_env *env)
{
    nrxi_gemm_batch_call_f32 all;
    float cost = (float)m * (float)n * (float)k;
    size_t i;
    if (m == 0 || n == 0) return;
    if (k == 0 || alpha == 0 || cost > 16 * NRXI_GEMM_CUT) {
        for (i = 0; i < batch; i++)
            nrxi_gemm_f32(ta, tb, m, n, k, alpha, a + i * sa, lda, b + i * sb, ldb, beta, c + i * sc, ldc, work, env);
        return;
    }
    nrxi_gemm_setup_f32(&all.one, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    all.sa = sa; all.sb = sb; all.sc = sc;
    all.batch = batch;
    all.group = cost < NRXI_GEMM_CUT / 8 ? (size_t)(NRXI_GEMM_CUT / 8 / cost) : 1;
    nrxi_parallel(env, (batch + all.group - 1) / all.group, nrxi_gemm_batch_job_f32, &all);
}
/* <<< twin */
#elif NRXI_GEMM_VERSION != 2118826157
#error "nrx: headers with different versions of the gemm block are mixed in one translation unit"
#endif
/* <<< nrx gemm (implementation) */
/* >>> nrx linalg (implementation) */
#ifndef NRXI_LINALG_VERSION
#define NRXI_LINALG_VERSION 1540441893
/* Dense linear algebra in f64 on plain row-major arrays: element (i, j) of a is a[i*lda + j], lda >= columns. Needs the core block only.
   Right-hand sides b are rows x nrhs, contiguous (ldb = nrhs). No function allocates or keeps state; `work` is at least the number of
   doubles that the query of the same name gives (nrxi_qr_work(m, n), nrxi_qr_pivot_work(m, n), nrxi_eigh_work(n), nrxi_svd_work(m, n),
   nrxi_lstsq_work(m, n, nrhs) ; (size_t)-1 when that overflows) and may not overlap anything else.
   Status: NRX_OK, or NRX_E_NUMERIC for a NaN or infinity in the input, a singular (or not positive definite) matrix, or an iteration that
   did not converge. Any size may be 0. All factorizations are backward stable in norm.

     nrxi_cholesky(n, a, lda)                          A = L L^T; reads and overwrites the lower triangle only
     nrxi_cholesky_solve(n, l, lda, b, nrhs)           b = A^-1 b
     nrxi_lu(n, a, lda, piv)                           P A = L U; row i was swapped with row piv[i] >= i, in order
     nrxi_lu_solve(n, lu, lda, piv, b, nrhs)           b = A^-1 b
     nrxi_trsolve(upper, trans, unit, n, a, lda, b, nrhs)   b = op(T)^-1 b, T the upper or lower triangle of a
     nrxi_qr(m, n, a, lda, tau, work)                  A = Q R; R in the upper triangle, the reflectors below it; tau: min(m, n)
                                                       (work of the next two: nrxi_qr_work(m, cols))
     nrxi_qr_q(m, k, a, lda, tau, cols, q, ldq, work)  first `cols` columns (k <= cols <= m) of Q, m x cols; q must not be a
     nrxi_qr_apply(trans, m, k, a, lda, tau, c, ldc, cols, work)   C = Q C or Q^T C, C is m x cols
     nrxi_qr_pivot(m, n, a, lda, perm, tau, work)      A(:, perm) = Q R, |R_00| >= |R_11| >= ...; Q is used as after nrxi_qr
     nrxi_eigh(n, a, lda, w, work)                     symmetric A (lower triangle read) = V diag(w) V^T, w ascending, columns of a = V
     nrxi_svd(m, n, a, lda, s, u, ldu, vt, ldvt, work) A = U diag(s) V^T, k = min(m, n): u m x k, s k descending, vt k x n; a is destroyed;
                                                       u and vt may both be NULL (values only)
     nrxi_lstsq(m, n, a, lda, b, nrhs, rcond, rank, work)   minimum-norm x of min |A x - b|; b is max(m, n) x nrhs, its first m rows are
                                                       read, its first n rows get x; diagonal entries of the pivoted R below
                                                       rcond |R_00| count as zero (rcond < 0: eps max(m, n)); rank may be NULL; a is destroyed
     nrxi_eig(n, a, lda, w, v, ldv, work)              general real A: w = n complex eigenvalues (re, im pairs; a conjugate pair is adjacent,
                                                       positive imaginary part first), v = n x n complex (entry (i, j) at v[2*(i*ldv + j)]),
                                                       its columns the eigenvectors of norm 1, or NULL; a is destroyed (real Schur form).
                                                       A defective matrix gives nearly parallel vectors, not an error. nrxi_eig_work(n)
   Sources: Golub and Van Loan, Matrix Computations, 4th ed., ch. 4-5, 7-8; Schreiber and Van Loan 1989 (compact WY). */

/* ---- kernels: scalar, vector, and AVX2 chosen at run time ---- */

/* Vector times scalar needs arithmetic without excess precision (gcc -m32 without SSE arithmetic promotes the scalar to long double). */
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
        nrxi_f64x4 u = NRXI_LA_LD(y + i) + NRXI_LA_LD(x + i) * alpha, v = NRXI_LA_LD(y + i + 4) + NRXI_LA_LD(x + i + 4) * alpha; \
        NRXI_LA_ST(y + i, u);                                                                      \
        NRXI_LA_ST(y + i + 4, v);                                                                  \
    }                                                                                              \
    for (; i < n; i++) y[i] += alpha * x[i];
/* Rotations k = 0 .. count-1 of rows k, k+1 of q, in panels of 16 columns with the lower row kept in registers. */
#define NRXI_LA_ROTATIONS                                                                          \
    size_t j = 0, k;                                                                               \
    for (; j + 16 <= len; j += 16) {                                                               \
        double *p = q + j;                                                                         \
        nrxi_f64x4 a0 = NRXI_LA_LD(p), a1 = NRXI_LA_LD(p + 4), a2 = NRXI_LA_LD(p + 8), a3 = NRXI_LA_LD(p + 12); \
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
    nrxi_f64x4 c00 = { 0.0, 0.0, 0.0, 0.0 }, c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00; \
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

NRXI_FN double nrxi_la_dot_vec(size_t n, const double *x, const double *y) { NRXI_LA_DOT }
NRXI_FN void nrxi_la_axpy_vec(size_t n, double alpha, const double *NRX_RESTRICT x, double *NRX_RESTRICT y) { NRXI_LA_AXPY }
NRXI_FN size_t nrxi_la_rotations_vec(size_t count, const double *cs, double *q, size_t ldq, size_t len) { NRXI_LA_ROTATIONS }
NRXI_FN void nrxi_la_tile_vec(size_t k, const double *const *a, size_t acs, const double *b, double *t) { NRXI_LA_TILE }
#if NRXI_X86
NRXI_AVX2 NRXI_FN double nrxi_la_dot_avx2(size_t n, const double *x, const double *y) { NRXI_LA_DOT }
NRXI_AVX2 NRXI_FN void nrxi_la_axpy_avx2(size_t n, double alpha, const double *NRX_RESTRICT x, double *NRX_RESTRICT y) { NRXI_LA_AXPY }
NRXI_AVX2 NRXI_FN size_t nrxi_la_rotations_avx2(size_t count, const double *cs, double *q, size_t ldq, size_t len) { NRXI_LA_ROTATIONS }
NRXI_AVX2 NRXI_FN void nrxi_la_tile_avx2(size_t k, const double *const *a, size_t acs, const double *b, double *t) { NRXI_LA_TILE }
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

/* One sweep of rotations: for k = 0 .. count-1 rows k, k+1 of q (length len) with (c, s) = cs[2 k], cs[2 k + 1]. */
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
    for (k = 0; j < len && k < count; k++) nrxi_la_rotate(len - j, cs[2 * k], cs[2 * k + 1], q + k * ldq + j, q + (k + 1) * ldq + j);
}

/* C (m x n) += sign A B: a(i, l) at a[i*ars + l*acs], b(l, j) at b[l*brs + j*bcs]. */
NRXI_FN void nrxi_la_gemm(size_t m, size_t n, size_t k, double sign, const double *a, size_t ars, size_t acs, const double *b, size_t brs,
                          size_t bcs, double *c, size_t ldc)
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

/* Power of two that brings a positive v into [1/2, 1); kept within 2^+-1000 so that it and its inverse are finite. */
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

/* Householder: from x (n entries) makes v (v[0] = 1 understood) and tau with (I - tau v v^T) x = beta e_0. x[0] <- beta, the rest <- v.
   Tiny vectors are scaled up first: subnormal numbers have too few digits for an orthogonal reflector. */
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
        if (fabs(x) + fabs(z) < 1e-140) { x *= 4.149515568880993e180; z *= 4.149515568880993e180; back = 2.409919865102884e-181; }
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
    if (!nrxi_mul_ok(a, b, &ab) || !nrxi_add_ok(ab, c, &sum) || !nrxi_mul_ok(sum, sizeof(double), &bytes)) return (size_t)-1;
    return sum;
}

/* ---- triangular solves, Cholesky, LU ---- */

NRXI_FN nrx_status nrxi_trsolve(int upper, int trans, int unit, size_t n, const double *a, size_t lda, double *b, size_t nrhs)
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

#define NRXI_LA_BLOCK ((size_t)32) /* columns that are factored before the rest is updated by products of matrices */

NRXI_FN nrx_status nrxi_cholesky(size_t n, double *a, size_t lda)
{
    size_t i, j, k, r;
    for (k = 0; k < n; k += NRXI_LA_BLOCK) {
        size_t end = k + nrxi_la_min(n - k, NRXI_LA_BLOCK);
        for (i = k; i < n; i++) { /* columns k .. end of L */
            double *ai = a + i * lda, pivot;
            for (j = k; j < end && j < i; j++) ai[j] = (ai[j] - nrxi_la_dot(j - k, ai + k, a + j * lda + k)) / a[j * lda + j];
            if (i >= end) continue;
            pivot = ai[i] - nrxi_la_dot(i - k, ai + k, ai + k);
            if (!(pivot > 0.0) || !nrxi_finite_f64(&pivot)) return NRX_E_NUMERIC;
            ai[i] = sqrt(pivot);
        }
        for (r = end; r < n; r += NRXI_LA_BLOCK) { /* the rest of the lower triangle, by blocks of rows */
            size_t rows = nrxi_la_min(n - r, NRXI_LA_BLOCK);
            nrxi_la_gemm(rows, r - end, end - k, -1.0, a + r * lda + k, lda, 1, a + end * lda + k, 1, lda, a + r * lda + end, lda);
            for (i = r; i < r + rows; i++)
                for (j = r; j <= i; j++) a[i * lda + j] -= nrxi_la_dot(end - k, a + i * lda + k, a + j * lda + k);
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
            for (j = k; j < i; j++) nrxi_la_axpy(n - end, -a[i * lda + j], a + j * lda + end, a + i * lda + end);
        nrxi_la_gemm(n - end, n - end, end - k, -1.0, a + end * lda + k, lda, 1, a + k * lda + end, lda, 1, a + end * lda + end, lda);
    }
    for (j = 0; j < n; j++)
        if (!nrxi_finite_f64(a + j * lda + j)) singular = 1;
    return singular ? NRX_E_NUMERIC : NRX_OK;
}

NRXI_FN nrx_status nrxi_lu_solve(size_t n, const double *lu, size_t lda, const size_t *piv, double *b, size_t nrhs)
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
NRXI_FN void nrxi_la_reflect_left(size_t m, size_t cols, const double *v, size_t inc, double tau, double *c, size_t ldc, double *w)
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

/* The workspace of a block of reflectors: v = V^T (BLOCK x ldv, rows are reflectors with their zeros and ones), t = T, w. */
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
        for (i = 0; i < j; i++) b.w[i] = -tau[j] * nrxi_la_dot(m - j, b.v + i * b.ldv + j, b.v + j * b.ldv + j);
        for (i = 0; i < j; i++) {
            double s = 0.0;
            for (l = i; l < j; l++) s += b.t[i * NRXI_LA_BLOCK + l] * b.w[l];
            b.t[i * NRXI_LA_BLOCK + j] = s;
        }
        b.t[j * NRXI_LA_BLOCK + j] = tau[j];
    }
}

/* C (m x cols) <- (I - V T V^T) C, or with T^T when trans. */
NRXI_FN void nrxi_la_wy_apply(nrxi_la_wy b, int trans, size_t m, size_t kb, double *c, size_t ldc, size_t cols)
{
    size_t step, i, l;
    memset(b.w, 0, kb * cols * sizeof *b.w);
    nrxi_la_gemm(kb, cols, m, 1.0, b.v, b.ldv, 1, c, ldc, 1, b.w, cols);
    for (step = 0; step < kb; step++) { /* w <- T w downwards, or T^T w upwards: each row is read before it is replaced */
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
NRXI_FN void nrxi_la_wy_load(nrxi_la_wy b, size_t m, size_t k, size_t kb, const double *a, size_t lda, const double *tau)
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

NRXI_FN nrx_status nrxi_qr_apply(int trans, size_t m, size_t k, const double *a, size_t lda, const double *tau, double *c, size_t ldc,
                                 size_t cols, double *work)
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

NRXI_FN nrx_status nrxi_qr_q(size_t m, size_t k, const double *a, size_t lda, const double *tau, size_t cols, double *q, size_t ldq,
                             double *work)
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

NRXI_FN nrx_status nrxi_qr_pivot(size_t m, size_t n, double *a, size_t lda, size_t *perm, double *tau, double *work)
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
        for (i = j + 1; i < n; i++) { /* downdate; recompute when cancellation has eaten half the digits (Drmac and Bujanovic 2008) */
            double r, left, ratio;
            if (norm[i] == 0.0) continue;
            r = fabs(a[j * lda + i]) / norm[i];
            left = r < 1.0 ? (1.0 - r) * (1.0 + r) : 0.0;
            ratio = norm[i] / exact[i];
            if (left * ratio * ratio <= 1.5e-8) norm[i] = exact[i] = nrxi_la_norm(m - j - 1, a + (j + 1) * lda + i, lda);
            else norm[i] *= sqrt(left);
        }
    }
    return NRX_OK;
}

NRXI_FN size_t nrxi_lstsq_work(size_t m, size_t n, size_t nrhs)
{
    size_t k = nrxi_la_min(m, n), big = m > n ? m : n, w = nrxi_qr_work(big, nrhs > big ? nrhs : big), p = nrxi_qr_pivot_work(big, big), sum;
    if (w == (size_t)-1 || p == (size_t)-1 || !nrxi_add_ok(w, p, &sum) || !nrxi_add_ok(sum, 3 * big, &sum)) return (size_t)-1;
    return nrxi_la_count(n, k, sum);
}

NRXI_FN nrx_status nrxi_lstsq(size_t m, size_t n, double *a, size_t lda, double *b, size_t nrhs, double rcond, size_t *rank, double *work)
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
    if (r < n && r > 0) { /* R(0:r, :) = S^T Z^T with Z S the QR of its transpose: x = Z S^-T c has minimum norm */
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

NRXI_FN size_t nrxi_eigh_work(size_t n) { return nrxi_la_count(n, n, n <= (size_t)-1 / 64 ? 4 * n : (size_t)-1); }

/* Q^T (rows x n) <- Q^T (I - tau v v^T), row by row. */
NRXI_FN void nrxi_la_reflect_right(size_t rows, size_t n, const double *v, double tau, double *q, size_t ldq)
{
    size_t i;
    if (tau == 0.0) return;
    for (i = 0; i < rows; i++) nrxi_la_axpy(n, -tau * nrxi_la_dot(n, q + i * ldq, v), v, q + i * ldq);
}

/* A (full, symmetric) -> diagonal d, off-diagonal e; reflector k stays in row k right of the diagonal, with its leading 1. tau: n. */
NRXI_FN void nrxi_la_tridiagonal(size_t n, double *a, size_t lda, double *d, double *e, double *tau, double *p)
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

/* Eigenvalues of the tridiagonal (d, e) into d, unsorted; the rotations go to the rows of q (n rows of length len). cs: 2 n. */
NRXI_FN nrx_status nrxi_la_tridiagonal_qr(size_t n, double *d, double *e, double *q, size_t ldq, size_t len, double *cs)
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
        if (k + 1 < n) nrxi_la_reflect_right(n - k - 1, n - k - 1, a + k * lda + k + 1, tau[k], qt + (k + 1) * n + k + 1, n);
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

/* A (m x n, m >= n) -> upper bidiagonal d, e. Left reflector k stays in column k, right reflector k in row k right of the diagonal
   (their leading ones are understood). v, w: m and n doubles. */
NRXI_FN void nrxi_la_bidiagonal(size_t m, size_t n, double *a, size_t lda, double *d, double *e, double *tauq, double *taup, double *v, double *w)
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

/* Singular values of the bidiagonal (d, e) into d >= 0, unsorted; rotations go to the rows of ut (length lu) and vt (length lv). cu: 4 n. */
NRXI_FN nrx_status nrxi_la_bidiagonal_qr(size_t n, double *d, double *e, double *ut, size_t ldu, size_t lu, double *vt, size_t ldv, size_t lv,
                                         double *cu)
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
    size_t big = m > n ? m : n, k = nrxi_la_min(m, n), c = nrxi_la_count(big, k, 0), r = nrxi_la_count(k, k, big);
    if (c > (size_t)-1 / 64 || r > (size_t)-1 / 64) return (size_t)-1;
    return 2 * c + r + 8 * k + big + 64;
}

/* The case m >= n with U^T (n x m) and V^T (n x n) as rows; a is destroyed. small: 5 n + m doubles. */
NRXI_FN nrx_status nrxi_la_svd_tall(size_t m, size_t n, double *a, size_t lda, double *s, double *ut, size_t ldu, double *vt, size_t ldv,
                                    double *small)
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
            if (k + 1 < n) nrxi_la_reflect_right(n - k - 1, n - k - 1, a + k * lda + k + 1, taup[k], vt + (k + 1) * ldv + k + 1, ldv);
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

NRXI_FN nrx_status nrxi_svd(size_t m, size_t n, double *a, size_t lda, double *s, double *u, size_t ldu, double *vt, size_t ldvt,
                            double *work)
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

/* ---- general eigenproblem: balancing, Hessenberg form, Francis double-shift QR, back-substitution in the real Schur form ---- */

NRXI_FN size_t nrxi_eig_work(size_t n) { return n > (size_t)-1 / 64 ? (size_t)-1 : nrxi_la_count(2 * n, n, 6 * n + 16); }

/* Diagonal scaling by powers of two that brings row and column norms together (Parlett and Reinsch; the norms of James, Langou and
   Lowery 2014); scale gets D, a becomes D^-1 A D. Undone when the condition of D times the new norm exceeds the old norm, because the
   result would then no longer be backward stable for A (Watkins 2006). */
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
            if ((c * f) * (c * f) + (r / f) * (r / f) >= 0.9 * (c * c + r * r) || g > 1e100 || g < 1e-100) continue;
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

/* H <- P H P, Z^T <- P Z^T for the reflector of (x, y, z) in rows k .. k+size-1 of the active block; columns from `from`, rows to `to`. */
NRXI_FN void nrxi_la_bulge(size_t n, double *h, size_t lda, double *zt, size_t k, size_t size, double *x, size_t from, size_t to)
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

/* Eigenvalues of [a b; c d]: w = re, im of the first (im >= 0), then of the second. Returns 1 when they are real. */
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
            double near = fabs(h[lo * lda + lo]) + fabs(h[(lo - 1) * lda + lo - 1]), off = fabs(h[lo * lda + lo - 1]);
            if (off <= 1.1e-16 * near || off < 1e-100) { /* the matrix is scaled to 1; products must not underflow */
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
            if (nrxi_la_eig2(h[lo * lda + lo], h[lo * lda + hi], l[lo], l[hi], w + 2 * lo)) { /* real: make it triangular */
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

/* Eigenvector (xr, xi) of the quasi-triangular t for eigenvalue k (first of its pair): zero below, solved upwards. */
NRXI_FN void nrxi_la_schur_vector(size_t n, const double *t, size_t lda, const double *w, size_t k, double small, double *xr, double *xi)
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
        if (i > 0 && row[i - 1] != 0.0) { /* rows i-1, i form a block [a b; c d]: Cramer with the complex determinant */
            const double *up = row - lda;
            double ur = 0.0, ui = 0.0, b = up[i], c = row[i - 1], ar = up[i - 1] - lr, er, ei;
            for (j = i + 1; j <= last; j++) {
                ur -= up[j] * xr[j];
                ui -= up[j] * xi[j];
            }
            er = ar * dr - di * di - b * c;
            ei = di * (ar + dr);
            if (fabs(er) + fabs(ei) < small * small) er = small * small;
            nrxi_la_divide(ur * dr - ui * di - b * r, ur * di + ui * dr - b * m, er, ei, xr + i - 1, xi + i - 1);
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
    double *zt = work, *scale = work + n * n, *tau = scale + n, *xr = tau + n, *xi = xr + n, *yr = xi + n, *yi = yr + n, f = 0.0;
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
#elif NRXI_LINALG_VERSION != 1540441893
#error "nrx: headers with different versions of the linalg block are mixed in one translation unit"
#endif
/* <<< nrx linalg (implementation) */
/* >>> nrx solve (implementation) */
#ifndef NRXI_SOLVE_VERSION
#define NRXI_SOLVE_VERSION 668024902
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
    double gg, old, qq, scale, d2;
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
        qq = nrxi_vec_dot(m, t, q, q) + d2 * nrxi_vec_dot(n, t, p, p);
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
        if (s.d.discrepancy > 0.0 && nrxi_vec_norm(m, t, r) <= s.d.discrepancy) { nrxi_solver_stop(&s, NRX_STOP_DISCREPANCY); break; }
        if (s.info->residual <= s.d.tol || gg == 0.0) { nrxi_solver_stop(&s, NRX_STOP_TOL); break; }
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
#elif NRXI_SOLVE_VERSION != 668024902
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
