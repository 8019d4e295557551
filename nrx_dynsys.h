/* nrx_dynsys.h - v0.1.0 - dynamical systems: solve them, measure their chaos, discover them, and know
   whether they can be discovered
   SPDX-License-Identifier: MIT-0 OR Unlicense

   DO THIS in one .c or .cpp file of your program (and include the header plainly elsewhere):
       #define NRX_DYNSYS_IMPLEMENTATION
       #include "nrx_dynsys.h"

   A COMPLETE PROGRAM   cc -O2 example.c -lm
 * >>> example
 *  #define NRX_DYNSYS_IMPLEMENTATION
 *  #include "nrx_dynsys.h"
 *  #include <stdio.h>
 *  int main(void)
 *  {
 *      static double t[5000], x[5000][3];
 *      nrx_dyn_system lorenz;
 *      int i;
 *      nrx_dyn_find("Lorenz63", &lorenz);       // equations, parameters, start, Jacobian
 *      for (i = 0; i < 5000; i++) t[i] = 0.002 * i;
 *      nrx_dyn_solve(&lorenz.field, lorenz.y0, 5000, t, x[0], NULL, NULL);
 *      printf("x, y, z at t = 1: %.6f %.6f %.6f\n", x[500][0], x[500][1], x[500][2]);
 *      return 0;
 *  }
 * <<< example

   WHAT IT DOES   Solvers (explicit, stiff, delay, stochastic, ETDRK4, maps, variational, adjoint); a catalogue of
   systems with parameters and reference exponents; Lyapunov spectra, dimensions, recurrences, surrogates; SINDy
   in its variants; an audit that says whether the data can single out a model at all; Koopman methods with
   residuals; recurrent networks, reservoirs and neural ODEs with the measures to judge them; expression trees ·
   model collapse. Sources stand beside each function.
   WHAT IT DOES NOT   Partial differential equations beyond ETDRK4 and PDE-FIND, large sparse systems (matrices are
   dense), symbolic algebra.

   CONVENTIONS   double everywhere; trajectories [time][state], matrices row-major; natural logarithms; exponents in
   nats per unit time, of which the catalogue's `period` is the dominant time scale.
   MEMORY   Every call frees what it takes before it returns, but for objects that have a _free or _drop.
   ERRORS   nrx_status, and one line through the log. Not converging, stopping early and refusing a model are results.
   THREADS   One thread per object; the catalogue is read-only. Batches of sequences run through env.parallel_for.
   DETERMINISM   The same seed gives the same result on the same kind of processor, for any number of threads.
   MACROS   NRX_MALLOC NRX_REALLOC NRX_FREE NRX_LOG(line) NRX_VERBOSE NRX_NO_STDIO NRX_NO_SIMD NRX_REPRODUCIBLE
   NRX_STATIC NRX_DEF, as in every nrx header. NRX_DYN_INLINE_FIELD and NRX_DYN_INLINE_SIZE: a field that the
   default solver may inline, see nrx_dyn_solve.
*/
#if defined(NRX_STATIC) && defined(NRX_LINKAGE_) && NRX_LINKAGE_ != 1
#error "NRX_STATIC must be defined before the first nrx include of this translation unit"
#endif
#ifndef NRX_DYNSYS_H
#define NRX_DYNSYS_H
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
#ifdef __cplusplus
extern "C" {
#endif

#define NRX_DYNSYS_VERSION "0.1.0"

/* Version of the implementation that was linked, "major.minor.patch". */
NRX_DEF const char *nrx_dyn_version(void);

/* ======================================== 1. solving ================ */

/* Methods. Explicit pairs advance with the higher order (local extrapolation); the error norm is the root
 * mean square of error / (atol + rtol max(|y|, |y_new|)), a step is accepted when it is below 1.
 *   DP5     Dormand & Prince 5(4), J. Comput. Appl. Math. 6 (1980) 19; dense output of order 4 (Hairer et al.
 *           I, II.6)
 *   TSIT5   Tsitouras 5(4), Comput. Math. Appl. 62 (2011) 770; dense output of order 4
 *   DOP853  8(5,3) of Hairer, Norsett & Wanner, Solving ODEs I, II.5; dense output of order 7
 *   RADAU5  3-stage Radau IIA, order 5, L-stable, for stiff problems (Hairer & Wanner, Solving ODEs II, IV.8)
 *   RK4     the classical method with the fixed step `step`; lands on every output time */
enum { NRX_DYN_DP5 = 0, NRX_DYN_TSIT5 = 1, NRX_DYN_DOP853 = 2, NRX_DYN_RADAU5 = 3, NRX_DYN_RK4 = 4 };

/* Why an integration ended. Stopping early is a result, not an error. */
enum { NRX_DYN_STOP_END = 0, NRX_DYN_STOP_EVENT = 1, NRX_DYN_STOP_STEPS = 2, NRX_DYN_STOP_CANCELLED = 3 };

/* An event: a zero of g(t, y) along the solution, located on the dense output to about 1e-12 of the step. */
typedef struct nrx_dyn_event {
  double (*g)(void *user, double t, const double *y);
  void *user;
  int direction;          /* 0 both, +1 rising zeros only, -1 falling zeros only */
  size_t terminal;        /* k > 0: stop at the k-th zero */
  double *times, *states; /* out, may be NULL: [capacity] and [capacity][n] */
  size_t capacity;
  size_t count; /* out: zeros found (those beyond capacity are counted, not stored) */
} nrx_dyn_event;

typedef struct nrx_dyn_solve_desc {
  double rtol, atol;     /* relative and absolute tolerance; 0 = 1e-8 and 1e-10; a negative value means
            zero */
  const double *atols;   /* one absolute tolerance per component [n], or NULL */
  int method;            /* NRX_DYN_DP5 ... */
  double step;           /* RK4: the fixed step (0 = a thousandth of the span); others: first step (0 =
            chosen) */
  double max_step;       /* 0 = unlimited */
  size_t max_steps;      /* 0 = 10^9 */
  nrx_dyn_event *events; /* [n_events] or NULL */
  size_t n_events;
  nrx_env env;
} nrx_dyn_solve_desc;

typedef struct nrx_dyn_solve_info {
  size_t evaluations, jacobians, factorizations, steps, rejected;
  double t;       /* time reached */
  double step;    /* last accepted step */
  size_t rows;    /* rows of the output that were written */
  int stop;       /* NRX_DYN_STOP_... */
} nrx_dyn_solve_info;

/* Solve y' = f(t, y), y(t[0]) = y0, and write y(t[i]) to y[i][0..n): t [nt], y [nt][n], row 0 is y0. The
 * times must be strictly monotonic, forward or backward. desc and info may be NULL. Cost: 6 (DP5, TSIT5), 12
 * (DOP853), 4 (RK4) evaluations per step. Errors: NRX_E_ARG for bad arguments; NRX_E_NUMERIC when f returns
 * non-finite values or the step underflows (rows up to info->rows are good); whatever f returns, passed on.
 * Thread safe when f is.
 * A small system spends more time between the calls of f than in them. Where the implementation is compiled,
 * one field can be named that DP5 calls directly, so that the compiler inlines it (a third less time for
 * Lorenz); all others, and this one with `atols`, go through their pointers as usual:
 *   #include "nrx_dynsys.h"
 *   static nrx_status my_field(void *user, double t, const double *y, double *dydt) { ... }
 *   #define NRX_DYN_INLINE_FIELD my_field
 *   #define NRX_DYN_INLINE_SIZE 3
 *   #define NRX_DYNSYS_IMPLEMENTATION
 *   #include "nrx_dynsys.h" */
NRX_DEF nrx_status nrx_dyn_solve(const nrx_vfield *f, const double *y0, size_t nt, const double *t, double *y,
            const nrx_dyn_solve_desc *desc, nrx_dyn_solve_info *info);

/* The same solver a step at a time, for loops of your own. `t_end` only gives the direction and bounds the
 * last step; nrx_dyn_solver_step advances by one accepted step, nrx_dyn_solver_at evaluates the dense output
 * inside that step. */
typedef struct nrx_dyn_solver nrx_dyn_solver;
NRX_DEF nrx_status nrx_dyn_solver_create(const nrx_vfield *f, double t0, const double *y0, double t_end,
            const nrx_dyn_solve_desc *desc, nrx_dyn_solver **out);
NRX_DEF nrx_status nrx_dyn_solver_step(nrx_dyn_solver *s);
NRX_DEF double nrx_dyn_solver_time(const nrx_dyn_solver *s);
NRX_DEF const double *nrx_dyn_solver_state(const nrx_dyn_solver *s);
NRX_DEF nrx_status nrx_dyn_solver_at(nrx_dyn_solver *s, double t, double *y);
NRX_DEF void nrx_dyn_solver_free(nrx_dyn_solver *s);

/* Iterate a map y -> f(t, y) (t counts the iterations): `skip` iterations are discarded, then `count` states
 * are written, y [count][n], the first being the state after the skipped ones. NRX_E_NUMERIC when the orbit
 * leaves the finite numbers. */
NRX_DEF nrx_status nrx_dyn_iterate(const nrx_vfield *map, const double *y0, size_t skip, size_t count,
    double *y);

/* Delay equations y'(t) = f(t, y(t), y(t - tau_1), ...), constant delays tau [n_delays] > 0, by DP5 with
 * dense history. Steps never exceed the smallest delay and land on the propagated discontinuities t0 + sum
 * m_i tau_i (up to five of them). lag is [n_delays][n]. history(user, t, y) gives y for t <= t0, NULL =
 * constant y0. */
typedef struct nrx_dyn_delay {
  nrx_status (*f)(void *user, double t, const double *y, const double *lag, double *dydt);
  nrx_status (*history)(void *user, double t, double *y);
  void *user;
  size_t n, n_delays;
  const double *tau;
} nrx_dyn_delay;
NRX_DEF nrx_status nrx_dyn_solve_delay(const nrx_dyn_delay *f, const double *y0, size_t nt, const double *t,
    double *y, const nrx_dyn_solve_desc *desc, nrx_dyn_solve_info *info);

/* Stochastic equations dy = f dt + g dW (Ito) with diagonal noise: g(user, t, y, out[n]); dg gives d g_i / d
 * y_i and may be NULL (a difference of g then replaces it). Euler-Maruyama (strong order 1/2) or Milstein
 * (strong order 1). `substeps` steps are taken between neighbouring output times; the same seed gives the
 * same path. */
enum { NRX_DYN_EULER_MARUYAMA = 0, NRX_DYN_MILSTEIN = 1 };
typedef struct nrx_dyn_noise {
  nrx_status (*g)(void *user, double t, const double *y, double *g);
  nrx_status (*dg)(void *user, double t, const double *y, double *dg);
  void *user;
} nrx_dyn_noise;
NRX_DEF nrx_status nrx_dyn_solve_sde(const nrx_vfield *f, const nrx_dyn_noise *noise, int method,
    uint64_t seed, const double *y0, size_t nt, const double *t, size_t substeps, double *y);

/* Exponential time differencing, fourth-order Runge-Kutta (Cox & Matthews 2002; coefficients by contour
 * means, Kassam & Trefethen, SIAM J. Sci. Comput. 26 (2005) 1214) for v' = L v + N(t, v) with diagonal real L
 * [n] and complex v [n][2]. Writes the state after every `every` steps, out [count][n][2]; v is advanced in
 * place. */
NRX_DEF nrx_status nrx_dyn_etdrk4(size_t n, const double *L, nrx_status (*nonlinear)(void *user, double t,
    const double *v, double *nv), void *user, double t0, double h, size_t count, size_t every, double *v,
    double *out);

/* Kuramoto-Sivashinsky u_t = -u u_x - u_xx - u_xxxx, period `length`, n grid points (even), ETDRK4 with
 * two-thirds dealiasing. u0 [n]; out [count][n] real fields, one every `every` steps of h. */
NRX_DEF nrx_status nrx_dyn_kuramoto_sivashinsky(size_t n, double length, const double *u0, double h,
    size_t count, size_t every, double *out, const nrx_env *env);

/* Variational equations: a field of size n + n k whose state is (y, Q) with Q [n][k] tangent columns, Q' =
 * J(t, y) Q. Without f->jac the product is a central difference along each column. `buf` needs n n + 4 n
 * doubles and lives with it. */
typedef struct nrx_dyn_tangent {
  nrx_vfield f;
  size_t k;
  double *buf;
} nrx_dyn_tangent;
NRX_DEF nrx_status nrx_dyn_tangent_field(nrx_dyn_tangent *t, nrx_vfield *out);

/* Gradients through a solution (discretise, then differentiate: exact for the RK4 scheme, whatever the step).
 * The loss is sum_i loss(i, y(t_i)); `loss` adds to *value and writes its gradient. vjp adds a^T df/dy to ay
 * [n] and a^T df/dp to ap [np]. grad_y0 [n] and grad_p [np] are written. `substeps` RK4 steps lie between
 * neighbouring times; memory nt * substeps * n doubles. */
typedef struct nrx_dyn_parametric {
  nrx_status (*f)(void *user, const double *p, double t, const double *y, double *dydt);
  nrx_status (*vjp)(void *user, const double *p, double t, const double *y, const double *a, double *ay,
      double *ap);
  void *user;
  size_t n, np;
} nrx_dyn_parametric;
NRX_DEF nrx_status nrx_dyn_adjoint(const nrx_dyn_parametric *f, const double *p, const double *y0, size_t nt,
    const double *t, size_t substeps, nrx_status (*loss)(void *user, size_t i, const double *y, double *value,
    double *grad), void *loss_user, double *value, double *grad_y0, double *grad_p, const nrx_env *env);

/* ======================================== 2. the catalogue ================ */

enum { NRX_DYN_FLOW = 0, NRX_DYN_MAP = 1, NRX_DYN_DELAYED = 2 };

/* One entry. field.user points to the default parameters (read only); to change them copy `params` into an
 * array of your own, edit it and set field.user to it. Parameters stand in the order of param_names. For
 * driven systems the last state is the phase. The delay entry has f only through nrx_dyn_mackey_glass. */
typedef struct nrx_dyn_system {
  const char *name, *equations, *param_names;
  int kind;                 /* NRX_DYN_FLOW, NRX_DYN_MAP */
  size_t n, n_params;
  const double *params, *y0;
  double period;            /* dominant time scale; 1 for maps */
  const double *exponents;  /* [n] reference spectrum in nats per unit time, NULL = none known */
  nrx_vfield field;         /* with analytic Jacobian */
} nrx_dyn_system;

/* Find by name; case, blanks, '-' and '_' do not matter. NRX_E_ARG when there is none (the log names near
 * misses). */
NRX_DEF nrx_status nrx_dyn_find(const char *name, nrx_dyn_system *out);
NRX_DEF size_t nrx_dyn_count(void);
NRX_DEF nrx_status nrx_dyn_get(size_t index, nrx_dyn_system *out);

/* Lorenz-96 with any n >= 4: x_i' = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + F. params [2] = {F, n} must live with
 * the field. */
NRX_DEF nrx_status nrx_dyn_lorenz96(double *params, size_t n, double forcing, nrx_vfield *out);

/* Mackey-Glass y' = beta y(t-tau) / (1 + y(t-tau)^p) - gamma y, params [4] = {beta, gamma, p, tau}. */
NRX_DEF nrx_status nrx_dyn_mackey_glass(const double *params, nrx_dyn_delay *out);

/* Largest relative difference between the analytic Jacobian and central differences at y; for your own fields
 * too. */
NRX_DEF nrx_status nrx_dyn_check_jacobian(const nrx_vfield *f, double t, const double *y, double *error);

/* ======================================== 3. measures of chaos ================ */

/* Lyapunov spectrum by tangent flow and QR (Benettin et al., Meccanica 15 (1980) 9). Flows: adaptive DOP853
 * on (y, Q); maps: the product of Jacobians. Each of `trajectories` starts (the first at y0, others nearby)
 * discards `transient`, then runs for time / trajectories. Errors are standard errors of the mean over
 * blocks. */
typedef struct nrx_dyn_lyapunov_desc {
  int kind;                    /* NRX_DYN_FLOW or NRX_DYN_MAP */
  size_t k;                    /* exponents wanted; 0 = n */
  double time;                 /* total time (maps: iterations); 0 = 1000 */
  double transient;            /* 0 = a tenth of the time per trajectory */
  double interval;             /* time between QR; 0 = chosen from the Jacobian (maps: 1) */
  double rtol, atol;           /* 0 = 1e-9 both */
  size_t trajectories, blocks; /* 0 = 1 and 20 blocks per trajectory */
  uint64_t seed;
  double *running;             /* NULL or [running_rows][k]: estimates of the first trajectory along the
            way */
  size_t running_rows;
  nrx_env env;
} nrx_dyn_lyapunov_desc;

typedef struct nrx_dyn_lyapunov_info {
  double sum;          /* sum of the exponents; equals the mean divergence when k = n */
  double divergence;   /* mean trace of the Jacobian, sampled at the QR times (maps: mean ln |det J|) */
  double kaplan_yorke; /* dimension from the exponents (k = n) */
  double entropy;      /* sum of the positive exponents: an upper bound of the metric entropy */
  double time;
  size_t intervals;
} nrx_dyn_lyapunov_info;

/* exponents [k] descending, errors [k] or NULL, info or NULL. NRX_E_NUMERIC when the orbit escapes. Cost per
 * QR: a few steps of n + n k equations. Progress reports time done. */
NRX_DEF nrx_status nrx_dyn_lyapunov(const nrx_vfield *f, const double *y0, const nrx_dyn_lyapunov_desc *desc,
    double *exponents, double *errors, nrx_dyn_lyapunov_info *info);

/* Kaplan-Yorke dimension of a spectrum in any order; n when the sum is not negative, 0 when no exponent is
 * positive or zero. */
NRX_DEF double nrx_dyn_kaplan_yorke(size_t n, const double *exponents);

/* Covariant Lyapunov vectors (Ginelli et al., PRL 99 (2007) 130601): forward `before` + count + `after`
 * intervals of length dt, then backward. vectors [count][n][n] (columns, unit length), states [count][n] or
 * NULL, exponents [n] or NULL. */
NRX_DEF nrx_status nrx_dyn_covariant(const nrx_vfield *f, int kind, const double *y0, double dt,
    size_t before, size_t count, size_t after, double *vectors, double *states, double *exponents,
    const nrx_env *env);

/* Smallest angle (radians) between the span of the first k columns and the span of the rest of V [n][n]. */
NRX_DEF double nrx_dyn_splitting_angle(size_t n, size_t k, const double *V);

/* Divergence of neighbours in data: S[j], j = 0 .. kmax, is the mean log distance after j samples. Embedding
 * dimension m, lag, neighbours closer than `theiler` in time are excluded. eps = 0: nearest neighbour
 * (Rosenstein et al. 1993); eps > 0: all neighbours within eps, logarithm of the mean (Kantz 1994). Fit a
 * line to the linear part with nrx_dyn_slope. O(N^2). */
NRX_DEF nrx_status nrx_dyn_divergence(size_t n, const double *x, size_t m, size_t lag, size_t theiler,
    double eps, size_t kmax, double *S);

/* Least-squares slope of y [n] over x [n]; intercept may be NULL. */
NRX_DEF double nrx_dyn_slope(size_t n, const double *x, const double *y, double *intercept);

/* Correlation sums C(r_i) of points [n][d] (Grassberger & Procaccia 1983), pairs closer than `theiler` in
 * time excluded, Euclidean distance; r [nr] increasing. Its log-log slope is the correlation dimension.
 * O(N^2). */
NRX_DEF nrx_status nrx_dyn_correlation_sum(size_t n, size_t d, const double *x, size_t theiler, size_t nr,
    const double *r, double *C);

/* Correlation dimension extrapolated to radius zero, for measures so uneven that the slope of log C over
 * log r creeps to its limit (Sprott & Rowlands, Int. J. Bifurcation Chaos 11 (2001) 1865). A quadratic fold
 * leaves a density like an inverse square root, whose square just fails to be integrable: C(r) = A r^D
 * (B - ln r), to first order exact for the logistic map at r = 4. The slopes of half octaves of r are fitted
 * by D - 1 / (B - ln r) + E r: E r is the first order of an edge, the logarithm stays if it lowers chi square
 * by 4 (too few points do not show it: see `other`). Weights and errors by the jackknife over 16 blocks of
 * time; if not even radii below r_max / 4 fit (misfit above 1.5: lacunar sets), the variance of the scatter is
 * added. Other powers bias it (density x^-1/3: 1.05 for 1). Grids for each two octaves: 1e6 points take
 * seconds. Noise shows as slopes near d. */
typedef struct nrx_dyn_dimension_desc {
  size_t theiler;      /* pairs at most this many samples apart are left out */
  double r_max, r_min; /* 0 = a tenth of the spread (root of the summed variances); as far as pairs go */
  double budget;       /* distances to evaluate per grid; 0 = 3e8 */
  nrx_env env;
} nrx_dyn_dimension_desc;

typedef struct nrx_dyn_dimension_info {
  double dimension, error;           /* D and its standard error */
  double other;                      /* D of the fit not chosen, with or without the logarithm */
  double plain, plain_error;         /* weighted mean slope over the same radii */
  double log_term;                   /* 1 / (B - ln r_max), 0 without logarithm, at most 0.5 */
  double misfit;                     /* chi square per degree of freedom, scatter not added */
  size_t bins;                       /* half octaves used; radius[i] is the upper end of the i-th */
  double radius[48], slope[48], slope_error[48];
} nrx_dyn_dimension_info;

/* Points x [n][d] in order of time, n >= 1000; desc may be NULL. NRX_E_NUMERIC when fewer than 8 half octaves
 * have enough pairs. */
NRX_DEF nrx_status nrx_dyn_correlation_dimension(size_t n, size_t d, const double *x,
    const nrx_dyn_dimension_desc *desc, nrx_dyn_dimension_info *info);

/* Occupied cubes of side L / 2^k, k = 1 .. levels, L the largest extent; counts [levels]. d * levels <=
 * 60. */
NRX_DEF nrx_status nrx_dyn_box_counts(size_t n, size_t d, const double *x, size_t levels, size_t *counts);

/* The 0-1 test for chaos (Gottwald & Melbourne 2004; 2009 form with the damped square displacement): near 1
 * chaotic, near 0 regular. Sub-sample flows to about the first zero of the autocorrelation. */
NRX_DEF nrx_status nrx_dyn_test01(size_t n, const double *x, size_t frequencies, uint64_t seed, double *K);

/* Fixed points of a flow (f = 0) or map (f = y) in the box lo .. hi by Newton from `tries` random starts;
 * points [max][n], eigenvalues [max][n][2] or NULL, stable[max] (1 = attracting) or NULL; *count is the
 * number found. */
NRX_DEF nrx_status nrx_dyn_fixed_points(const nrx_vfield *f, int kind, const double *lo, const double *hi,
    size_t tries, uint64_t seed, size_t max, double *points, double *eigenvalues, int *stable, size_t *count);

/* Orbit diagram: for each of np parameter values (written to *param before the run) `keep` values of
 * component `which` after `skip` iterates (maps) or successive maxima of that component (flows). out
 * [np][keep], NaN where the orbit escaped or settled. */
NRX_DEF nrx_status nrx_dyn_orbit_diagram(const nrx_vfield *f, int kind, const double *y0, double *param,
    size_t np, const double *values, size_t which, size_t skip, size_t keep, double *out, const nrx_env *env);

/* Recurrence quantification of points [n][d] at radius eps, `theiler` diagonals excluded, lines of at least
 * lmin. O(N^2) time, O(N) memory. */
typedef struct nrx_dyn_recurrence {
  double rate, determinism, mean_line, longest_line, entropy, laminarity, trapping_time, divergence;
} nrx_dyn_recurrence;
NRX_DEF nrx_status nrx_dyn_recurrences(size_t n, size_t d, const double *x, double eps, size_t theiler,
    size_t lmin, nrx_dyn_recurrence *out);

/* Delay embedding: out [n - (m-1) lag][m], row i = x_i, x_{i+lag}, ... */
NRX_DEF nrx_status nrx_dyn_embed(size_t n, const double *x, size_t m, size_t lag, double *out);
/* Mutual information in nats for lags 0 .. max_lag, equal-width histogram of `bins`; I [max_lag+1]. */
NRX_DEF nrx_status nrx_dyn_mutual_information(size_t n, const double *x, size_t max_lag, size_t bins,
    double *I);
/* Share of false neighbours (Kennel et al. 1992, R = 15, A = 2) for m = 1 .. max_m; share [max_m]. O(N^2). */
NRX_DEF nrx_status nrx_dyn_false_neighbours(size_t n, const double *x, size_t max_m, size_t lag,
    size_t theiler, double *share);

/* Power spectrum |X_k|^2 / n, k = 0 .. n/2, of the series less its mean; out [n/2 + 1]. */
NRX_DEF nrx_status nrx_dyn_power_spectrum(size_t n, const double *x, double *out, const nrx_env *env);

/* Surrogate series (Theiler et al. 1992; Schreiber & Schmitz 1996). IAAFT ends on the rank step: the
 * histogram is exact. */
enum { NRX_DYN_SHUFFLE = 0, NRX_DYN_FT = 1, NRX_DYN_AAFT = 2, NRX_DYN_IAAFT = 3 };
NRX_DEF nrx_status nrx_dyn_surrogate(int kind, size_t n, const double *x, uint64_t seed, double *out,
    const nrx_env *env);

/* ======================================== 4. sparse identification (SINDy) ================ */

/* Sampled data, rows = samples. Several trajectories stand one after the other. A row with a NaN is missing:
 * what needs it is left out. Times must increase strictly within a trajectory (t), or be equally spaced
 * (dt). */
typedef struct nrx_dyn_data {
  size_t n, d;             /* samples, states */
  const double *x;         /* [n][d] */
  const double *t;         /* [n], or NULL */
  double dt;               /* sampling step when t is NULL */
  const double *dxdt;      /* [n][d] known derivatives, NULL = compute them */
  size_t n_controls;
  const double *controls;  /* [n][n_controls], appended to the states in the library, never differentiated */
  size_t n_trajectories;   /* 0 = 1 */
  const size_t *lengths;   /* [n_trajectories], their sum is n; NULL with one trajectory */
} nrx_dyn_data;

/* Candidate terms. Order and names as PySINDy's: 1, x0, x1, x0^2, x0 x1, x1^2, ...; then sin(k x), cos(k x);
 * functions; logs. */
typedef struct nrx_dyn_function {
  const char *name;      /* printed as name(x0) or name(x0,x1) */
  size_t arity;          /* every combination of that many inputs, in ascending order */
  double (*f)(void *user, const double *x);
  void *user;
} nrx_dyn_function;
typedef struct nrx_dyn_library {
  int degree;            /* polynomial degree; 0 = chosen: 2, raised to 5 while the data reject the fit; -1 =
            no polynomials */
  int no_bias;           /* leave out the constant */
  int pure_powers;       /* no products of different variables */
  int interactions_only; /* no powers of one variable */
  int fourier;           /* sin(k x), cos(k x), k = 1 .. fourier */
  int logarithms;        /* ln x of every variable */
  const nrx_dyn_function *functions;
  size_t n_functions;
} nrx_dyn_library;
/* Number of terms for d variables, (size_t)-1 on overflow; values theta [n][p] of n points x [n][d]; name of
 * a term. */
NRX_DEF size_t nrx_dyn_library_size(const nrx_dyn_library *lib, size_t d);
NRX_DEF nrx_status nrx_dyn_library_eval(const nrx_dyn_library *lib, size_t n, size_t d, const double *x,
    double *theta);
NRX_DEF nrx_status nrx_dyn_library_name(const nrx_dyn_library *lib, size_t d, size_t term,
    const char *const *names, char *text, size_t size);

/* Derivatives of sampled data. */
enum { NRX_DYN_FINITE_DIFFERENCE = 0, /* central, order `order` (2), Fornberg weights, one-sided at the ends,
            any spacing */
       NRX_DYN_SAVITZKY_GOLAY = 1,    /* local polynomial of `degree` (3) over `window` (11) samples, its own
            derivative */
       NRX_DYN_SMOOTHED = 2,          /* Savitzky-Golay smoothing, then central differences of order 2 */
       NRX_DYN_SPLINE = 3,            /* cubic smoothing spline, `alpha` = smoothing (0 = by generalised
            cross-validation) */
       NRX_DYN_TV = 4 };              /* total-variation regularised (Chartrand 2011), weight `alpha`, equally
            spaced */
typedef struct nrx_dyn_derivative_desc {
  int method;
  size_t order, window, degree;
  double alpha;
  nrx_env env;
} nrx_dyn_derivative_desc;
/* dx [n][d]; smooth [n][d] or NULL gets the smoothed states (methods 1, 2, 3; else a copy). One trajectory;
 * rows that cannot be had (missing neighbours) are NaN. */
NRX_DEF nrx_status nrx_dyn_derivative(size_t n, size_t d, const double *t, double dt, const double *x,
            const nrx_dyn_derivative_desc *desc, double *dx, double *smooth);

/* Optimisers. */
enum { NRX_DYN_STLSQ = 0,  /* sequentially thresholded ridge regression; threshold .1, alpha .05, 20 sweeps */
       NRX_DYN_SR3 = 1,    /* relaxed regularised regression (Zheng et al. 2019); lambda, nu, prox;
            constraints if given */
       NRX_DYN_SSR = 2,    /* backward elimination; the best by AICc */
       NRX_DYN_FROLS = 3,  /* forward orthogonal least squares; the best by BIC */
       NRX_DYN_TRAPPING = 4 }; /* SR3 with energy-preserving quadratic terms (Kaptanoglu et al. 2021); degree
            2, d >= 2 */
enum { NRX_DYN_L0 = 0, NRX_DYN_L1 = 1, NRX_DYN_L2 = 2 };
enum { NRX_DYN_CONTINUOUS = 0, NRX_DYN_DISCRETE = 1 };

typedef struct nrx_dyn_sindy_desc {
  nrx_dyn_library library;
  nrx_dyn_derivative_desc derivative;
  int optimizer;
  int time;                  /* NRX_DYN_CONTINUOUS or NRX_DYN_DISCRETE (x_{k+1} = f(x_k)) */
  double threshold;          /* 0 = 0.1; on raw coefficients unless `normalize` */
  double alpha;              /* ridge; 0 = 0.05 (weak form: none), negative = none */
  double lambda, nu;         /* SR3: 0 = 0.005 and 1 */
  int prox;                  /* SR3: NRX_DYN_L0, L1, L2 */
  int max_iterations;        /* 0 = 20 (SR3: 200) */
  int normalize;             /* scale columns to unit 2-norm first; the threshold then acts on scaled
            coefficients */
  int biased;                /* keep the regularised coefficients (default: least squares on the support) */
  /* weak form: on when weak_half > 0 or weak_auto */
  int weak_auto;             /* choose half-width and stride from the data's time scale */
  size_t weak_half;          /* half-width of the test functions in samples */
  size_t weak_stride;        /* distance of their centres; 0 = a tenth of weak_half, at least 1 */
  int weak_power;            /* (1 - s^2)^power; 0 = 8 */
  int weak_gls;              /* 1 = generalised least squares with the covariance of white state noise;
            default: ordinary */
  /* ensemble: bootstrap of rows (or weak rows), median of coefficients, terms kept at inclusion >= 0.6 */
  size_t ensemble;           /* number of models; 0 = none */
  double inclusion;          /* 0 = 0.6 */
  uint64_t seed;
  /* linear equality constraints C vec(Xi) = c for SR3, vec runs over equations, then terms */
  size_t n_constraints;
  const double *constraint, *constraint_value; /* [n_constraints][d p], [n_constraints] */
  const char *const *names;  /* [d + n_controls] or NULL: x0, x1, ..., u0, ... */
  nrx_env env;
} nrx_dyn_sindy_desc;

/* Verdict on the fit: a model the data reject is not printed as equations. */
enum { NRX_DYN_MODEL_OK = 0, NRX_DYN_MODEL_REJECTED = 1, NRX_DYN_MODEL_EMPTY = 2 };

typedef struct nrx_dyn_model {
  size_t n, n_inputs, p;      /* equations, inputs (states and controls), terms */
  nrx_dyn_library library;    /* with the degree used */
  int time, verdict;
  double *coef;               /* [n][p] */
  double *error;              /* [n][p] standard errors on the support, residual correlation allowed for */
  double *inclusion;          /* [n][p] share of ensemble members with the term (1 or 0 without ensemble) */
  double *residual;           /* [n] root mean square */
  double *expected;           /* [n] what the derivative's own error explains */
  double *r2;                 /* [n] */
  double condition;           /* of the unit-norm support columns, worst equation */
  size_t rows, sweeps;
  const char *const *names;   /* the caller's */
  void *terms;                /* private */
  nrx_env env;
} nrx_dyn_model;

/* Discover x' = Xi Theta(x, u). *out is freed by nrx_dyn_model_free. NRX_E_ARG / NRX_E_NUMERIC with one clear
 * line for short, constant, non-finite, unsorted or duplicated samples and for rank deficiency without ridge.
 * A fit that leaves much more than the derivative's own error is returned with verdict
 * NRX_DYN_MODEL_REJECTED. */
NRX_DEF nrx_status nrx_dyn_sindy(const nrx_dyn_data *data, const nrx_dyn_sindy_desc *desc,
    nrx_dyn_model **out);
NRX_DEF void nrx_dyn_model_free(nrx_dyn_model *m);
/* Equations as text, "(x0)' = -10.000 x0 + 10.000 x1\n..."; with intervals != 0 as "(-10.000 +- 0.002) x0".
 * Returns the length needed. */
NRX_DEF size_t nrx_dyn_model_print(const nrx_dyn_model *m, int decimals, int intervals, char *text,
    size_t size);
/* A C function "void NAME(const double *x, double *dxdt)" with coefficients to full precision. Returns the
 * length needed. */
NRX_DEF size_t nrx_dyn_model_to_c(const nrx_dyn_model *m, const char *name, char *text, size_t size);
/* The model as a field (no controls): it can be solved, and its exponents found. The model must outlive
 * it. */
NRX_DEF nrx_status nrx_dyn_model_field(const nrx_dyn_model *m, nrx_vfield *out);

/* Choose the threshold: for each of nt thresholds the model is fitted on all but the last fifth of the
 * samples; rows [nt][4] get non-zeros, validation R^2, AICc, BIC; *best is the index of least AICc. */
NRX_DEF nrx_status nrx_dyn_sindy_path(const nrx_dyn_data *data, const nrx_dyn_sindy_desc *desc, size_t nt,
    const double *thresholds, double *rows, size_t *best);

/* PDE-FIND (Rudy et al. 2017) on u [nt][nx]: u_t from u^j times space derivatives up to `order` (j <= power),
 * periodic or not, STRidge on unit-norm columns. Terms in the order 1, u, u^2, .., u_1, u u_1, ...; coef
 * [(power+1)(order+1)]; the names are "u^j u_11". */
NRX_DEF nrx_status nrx_dyn_pde_find(size_t nt, size_t nx, const double *u, double dt, double dx, int periodic,
    size_t power, size_t order, double threshold, double *coef, double *r2, const nrx_env *env);

/* Streaming least squares for data of any length: only the triangular factor R of [Theta Y] is kept, (p +
 * d)^2 numbers. */
typedef struct nrx_dyn_stream {
  size_t cols, rows, fill, block; /* columns; rows seen; rows waiting; block height */
  double *R, *buf, *tau, *work;
  nrx_env env;
} nrx_dyn_stream;
NRX_DEF nrx_status nrx_dyn_stream_create(nrx_dyn_stream *s, size_t cols, const nrx_env *env);
NRX_DEF nrx_status nrx_dyn_stream_push(nrx_dyn_stream *s, size_t rows, const double *a); /* a [rows][cols] */
NRX_DEF nrx_status nrx_dyn_stream_finish(nrx_dyn_stream *s); /* s->R [cols][cols] upper triangular is ready;
            more may be pushed */
NRX_DEF void nrx_dyn_stream_free(nrx_dyn_stream *s);

/* ======================================== 5. can this system be discovered? ================ */

/* Before any equation: do the data single out one vector field in a class of functions? A field is unique in
 * the span of a library exactly when no combination of its terms vanishes on the data ("Discovery requires
 * chaos", Shumaylov et al., arXiv 2511.08860, Prop. 3.1). The audit looks for such combinations by blocked QR
 * and SVD (never a Gram matrix), at the noise the data have, and says in plain words what it found.
 *
 * Clean data (noise < 0): singular values of the unit-norm columns below `tolerance` times the largest are
 * null directions. Noisy data: generalised singular values gamma = |Theta c| / |noise expected in Theta c|. A
 * true null direction has gamma = 1; gamma < 1.1 counts as null, gamma > 3 as resolved, anything between as
 * undecided at this noise. */
enum { NRX_DYN_UNDECIDED = 0,     /* the noise hides whether terms vanish */
       NRX_DYN_OBSTRUCTED = 1,    /* combinations vanish: first integrals or constraints were found, other
            fields fit equally well */
       NRX_DYN_UNIQUE = 2,        /* unique within the library */
       NRX_DYN_ANALYTIC = 3 };    /* unique in the library, and dimension > d - 1: the sufficient criterion
            for analytic fields holds */

#define NRX_DYN_AUDIT_DEGREES 12

typedef struct nrx_dyn_audit_desc {
  nrx_dyn_library library;   /* degree 0 = 3; with a pure polynomial library every degree up to it is
            reported */
  double noise;              /* relative to each state's standard deviation: > 0 known, 0 = estimated from the
            data's roughness, < 0 = clean */
  double tolerance;          /* clean data: 0 = 1e-8 */
  int centre_orbits;         /* several trajectories: subtract each one's mean first; null vectors are then
            first integrals by value */
  const nrx_vfield *field;   /* known or fitted field: gives exponents and Kaplan-Yorke dimension; NULL = from
            the data */
  const double *lo, *hi;     /* [d] domain for coverage; NULL = the data's box */
  nrx_env env;
} nrx_dyn_audit_desc;

typedef struct nrx_dyn_audit_degree {
  size_t terms, null, undecided; /* directions that vanish, and those the noise hides */
  double ratio;                  /* smallest over largest singular value */
  double gap;                    /* largest quotient of neighbouring singular values, after position gap_at */
  size_t gap_at;
  double gamma;                  /* smallest generalised singular value (noisy data) */
} nrx_dyn_audit_degree;

typedef struct nrx_dyn_audit_report {
  int verdict, degrees, integral_degree;
  nrx_dyn_audit_degree degree[NRX_DYN_AUDIT_DEGREES]; /* [degrees]: polynomial degree 1, 2, ...; a mixed
            library has one entry */
  size_t d, samples;
  double noise;                     /* used; 0 = clean */
  double exponent, exponent_error;  /* largest Lyapunov exponent per unit time */
  double dimension, dimension_error;/* Kaplan-Yorke with a field, else correlation dimension */
  double coverage, largest_hole;    /* occupied share of boxes (10 per axis, at most 10^6), widest hole
            relative to the box */
  size_t n_integrals, n_terms;
  double *integral;                 /* [n_integrals][n_terms] vanishing combinations in raw coordinates,
            library order */
  size_t free_parameters;           /* dimension of the set of fields that fit equally well */
  double *experiment;               /* [d] an initial state that would separate them, or NULL */
  char *text;                       /* the report in plain language */
  nrx_env env;
} nrx_dyn_audit_report;

NRX_DEF nrx_status nrx_dyn_audit(const nrx_dyn_data *data, const nrx_dyn_audit_desc *desc,
    nrx_dyn_audit_report **out);
NRX_DEF void nrx_dyn_audit_free(nrx_dyn_audit_report *r);

/* The same for data that do not fit in memory: only triangular factors are kept (2 p^2 numbers). Scales come
 * from the first push; no exponents, dimension or coverage; noise = 0 means clean here. */
typedef struct nrx_dyn_auditor nrx_dyn_auditor;
NRX_DEF nrx_status nrx_dyn_auditor_create(size_t d, const nrx_dyn_audit_desc *desc, nrx_dyn_auditor **out);
NRX_DEF nrx_status nrx_dyn_auditor_push(nrx_dyn_auditor *a, size_t n, const double *x); /* [n][d] */
NRX_DEF nrx_status nrx_dyn_auditor_finish(nrx_dyn_auditor *a, nrx_dyn_audit_report **out);
NRX_DEF void nrx_dyn_auditor_free(nrx_dyn_auditor *a);

/* First integrals of a known field up to a degree: null space of L_F phi_j = grad phi_j . F at `points`
 * random states of the box lo .. hi. *null is its dimension, integrals [max][p-1] (library order without the
 * constant), ratio = s_min / s_1; either may be NULL. */
NRX_DEF nrx_status nrx_dyn_first_integrals(const nrx_vfield *f, const double *lo, const double *hi,
    int degree, size_t points, uint64_t seed, size_t max, double *integrals, size_t *null, double *ratio);

/* Standard deviation of the noise of sampled states [n][d] (equally spaced), in their units, from the roughness
 * of their differences: an upper bound for smooth data; sd [d]. */
NRX_DEF nrx_status nrx_dyn_noise_level(size_t n, size_t d, const double *x, double *sd);

/* ======================================== 6. Koopman operators ================ */

/* A set of eigenvalues with what belongs to them; complex numbers are (re, im) pairs. residuals say how far
 * each pair is from being one of the operator's (ResDMD, Colbrook & Townsend 2024): an eigenvalue without a
 * small residual is an artefact of the dictionary. */
typedef struct nrx_dyn_spectrum {
  size_t n, r;          /* rows of the modes; eigenvalues, by decreasing modulus */
  double *eigenvalues;  /* [r][2] of one sampling step */
  double *modes;        /* [n][r][2] DMD modes; EDMD: coefficients of the eigenfunctions over the
            dictionary */
  double *amplitudes;   /* [r][2] of the first snapshot (DMD) */
  double *residuals;    /* [r] relative */
  double *A, *E;        /* [r][r] compressed operator and residual factor, for nrx_dyn_pseudospectrum */
  double *mem;
  nrx_env env;
} nrx_dyn_spectrum;
NRX_DEF void nrx_dyn_spectrum_free(nrx_dyn_spectrum *s);

typedef struct nrx_dyn_dmd_desc {
  int rank;            /* > 0: that many; 0: Gavish & Donoho's threshold; -1: all that are numerically
                          there */
  size_t delays;       /* stack this many delayed copies (Hankel DMD); 0 = 1 */
  int projected;       /* projected instead of exact modes */
  nrx_env env;
} nrx_dyn_dmd_desc;
/* Dynamic mode decomposition of snapshots x [m][n] in time order (y = NULL), or of pairs x -> y. Tu et al.
 * 2014. */
NRX_DEF nrx_status nrx_dyn_dmd(size_t m, size_t n, const double *x, const double *y,
    const nrx_dyn_dmd_desc *desc, nrx_dyn_spectrum *out);
/* Optimised DMD (Askham & Kutz 2018): x(t_i) = sum_j b_j exp(alpha_j t_i), any times, by variable projection;
 * alpha [r][2] holds the start and the result, modes [n][r][2] the b_j, error the relative residual. */
NRX_DEF nrx_status nrx_dyn_dmd_optimised(size_t m, size_t n, const double *t, const double *x, size_t r,
    double *alpha, double *modes, double *error, const nrx_env *env);
/* HAVOK (Brunton et al. 2017): v' = A v + B v_r from the first r singular vectors of the Hankel matrix of x;
 * A [r-1][r-1], B [r-1]; s [r]. */
NRX_DEF nrx_status nrx_dyn_havok(size_t n, const double *x, double dt, size_t delays, size_t r, double *A,
    double *B, double *s, const nrx_env *env);

enum { NRX_DYN_DICTIONARY = 0, NRX_DYN_GAUSSIAN = 1, NRX_DYN_LAPLACIAN = 2, NRX_DYN_POLYNOMIAL = 3 };
typedef struct nrx_dyn_edmd_desc {
  nrx_dyn_library library;  /* the dictionary, when kernel is NRX_DYN_DICTIONARY */
  size_t p;                 /* own dictionary: x and y are its values already, [n][p] */
  int kernel;               /* kernel EDMD (Williams et al. 2015) */
  double width;             /* kernel scale; 0 = mean distance to the mean */
  int power;                /* polynomial kernel; 0 = 3 */
  double cutoff;            /* singular values below cutoff * largest are dropped; 0 = 1e-12 */
  int measure_preserving;   /* mpEDMD (Colbrook 2023): eigenvalues on the unit circle */
  nrx_env env;
} nrx_dyn_edmd_desc;
/* Extended DMD of pairs x [n][d] -> y [n][d]. Residuals come with every eigenvalue. */
NRX_DEF nrx_status nrx_dyn_edmd(size_t n, size_t d, const double *x, const double *y,
    const nrx_dyn_edmd_desc *desc, nrx_dyn_spectrum *out);
/* Smallest residual over the dictionary's span at nz points z [nz][2]: where it is below eps lies the
 * eps-pseudospectrum. */
NRX_DEF nrx_status nrx_dyn_pseudospectrum(const nrx_dyn_spectrum *s, size_t nz, const double *z,
    double *residual);

/* ======================================== 7. learned surrogates ================ */

/* Piecewise-linear recurrent networks, z' = a*z + ... with relu = max(., 0), the first N of M latents being
 * the (standardised) observations.
 *   SHALLOW  a*z + W1 relu(W2 z + h2) + h1                          (Hess et al., ICML 2023)
 *   CLIPPED  a*z + W1 (relu(W2 z + h2) - relu(W2 z)) + h1           (bounded when max |a| < 1)
 *   ALRNN    a*z + W phi(z) + h, phi = relu on the last P units     (Brenner et al., NeurIPS 2024; 2^P linear
 *            regions)
 * Training: back-propagation through time with generalised teacher forcing z <- (1-alpha) z + alpha x, or
 * sparse forcing every tau steps; RAdam with exponentially falling rate. Sequences of a batch run through
 * env.parallel_for. */
enum { NRX_DYN_CLIPPED = 0, NRX_DYN_SHALLOW = 1, NRX_DYN_ALRNN = 2 };
typedef struct nrx_dyn_plrnn_desc {
  int kind;
  size_t latent;        /* M; 0 = N (ALRNN: 20) */
  size_t hidden;        /* H; 0 = 50; ALRNN: the number P of relu units, 0 = 2 */
  size_t sequence;      /* 0 = 200 */
  size_t batch;         /* 0 = 16 */
  size_t batches;       /* total gradient steps; 0 = 5000 */
  double rate, rate_end;/* 0 = 1e-3 and 1e-5 */
  double alpha;         /* forcing strength; 0 = adaptive: 1 - 1 / (geometric mean of |J| along the data),
            smoothed; ignored with tau */
  size_t tau;           /* > 0: sparse forcing (the ALRNN default is 16) */
  double noise;         /* added to the training observations, in deviations */
  double decay;         /* weight penalty */
  const double *validation; /* [n_validation][N] another trajectory, in the units of x: the parameters whose
            free run has the least */
  size_t n_validation;  /* D_stsp against it are kept; 0 = the last ones are kept */
  size_t checks;        /* how often that is looked at; 0 = 50 times */
  uint64_t seed;
  nrx_env env;          /* progress: value = loss */
} nrx_dyn_plrnn_desc;
typedef struct nrx_dyn_rnn {
  int kind;
  size_t N, M, H, np;
  double *params;       /* [np]: a, W1 [M][H], W2 [H][M], h1, h2; ALRNN: a, W [M][M], h; then L [M-N][N] */
  double *mean, *sd;    /* [N] */
  double loss, alpha;   /* last smoothed loss and forcing strength */
  double divergence;    /* D_stsp on the validation series of the step that was kept; -1 = no validation */
  size_t step;          /* the gradient step whose parameters these are */
  nrx_env env;
} nrx_dyn_rnn;
NRX_DEF nrx_status nrx_dyn_plrnn(size_t n, size_t N, const double *x, const nrx_dyn_plrnn_desc *desc,
    nrx_dyn_rnn **out);
NRX_DEF void nrx_dyn_rnn_free(nrx_dyn_rnn *m);
/* Mean squared one-sequence loss with forcing and its gradient [np] (may be NULL), x [T][N] in standardised
 * units. */
NRX_DEF nrx_status nrx_dyn_rnn_loss(const nrx_dyn_rnn *m, size_t T, const double *x, double alpha, size_t tau,
    double *loss, double *grad);
/* Free run from observation x0 [N]: out [count][N], the first row is x0's successor. symbols [count] or NULL:
 * region of each state (bit pattern of the relu units, up to 64). */
NRX_DEF nrx_status nrx_dyn_rnn_run(const nrx_dyn_rnn *m, const double *x0, size_t count, double *out,
    uint64_t *symbols);
/* Symbolic dynamics of a code [n]: distinct symbols (at most max), their counts, transitions [k][k]; entropy
 * = ln of the spectral radius of the 0/1 transition matrix. */
NRX_DEF nrx_status nrx_dyn_symbols(size_t n, const uint64_t *code, size_t max, uint64_t *symbol,
    size_t *count, double *transition, size_t *k, double *entropy);

/* Reservoirs with a ridge read-out of the increment x_{t+1} - x_t. NEXT: the present and k-1 earlier states
 * (skip s) and all their products (next- generation RC, Gauthier et al. 2021). ECHO: echo state network.
 * `noise` (in deviations) is added to the training features: without it the next-generation map often has a
 * parasitic growing mode. */
enum { NRX_DYN_NEXT = 0, NRX_DYN_ECHO = 1 };
typedef struct nrx_dyn_reservoir_desc {
  int kind;
  size_t taps, skip;    /* NEXT: 0 = 2 and 1 */
  size_t units;         /* ECHO: 0 = 300 */
  double radius, input, leak; /* ECHO: 0 = 0.9, 0.1, 1 */
  double ridge;         /* 0 = 2.5e-6 (NEXT), 1e-7 (ECHO) */
  double noise;         /* 0 = 1e-3 for NEXT; negative = none */
  size_t washout;       /* ECHO: 0 = 100 */
  uint64_t seed;
  nrx_env env;
} nrx_dyn_reservoir_desc;
typedef struct nrx_dyn_reservoir { nrx_dyn_reservoir_desc d; size_t N, features, need;
  double *W, *A, *Win, *mean, *sd, *mem; } nrx_dyn_reservoir;
NRX_DEF nrx_status nrx_dyn_reservoir_train(size_t n, size_t N, const double *x,
    const nrx_dyn_reservoir_desc *desc, nrx_dyn_reservoir *out);
/* Forecast `count` states after the warm-up data x [n][N] (n >= need). */
NRX_DEF nrx_status nrx_dyn_reservoir_run(const nrx_dyn_reservoir *r, size_t n, const double *x, size_t count,
    double *out);
NRX_DEF void nrx_dyn_reservoir_free(nrx_dyn_reservoir *r);

/* Neural ODE: f(x) = W2 tanh(W1 x + b1) + b2 trained through RK4 on windows of `window` samples (multiple
 * shooting) with RAdam; params [hidden (2 N + 1) + N] start at random when `fresh`. nrx_dyn_mlp makes a field
 * of them. */
NRX_DEF nrx_status nrx_dyn_neural_ode(size_t n, size_t N, const double *x, double dt, size_t hidden,
    size_t window, size_t steps, double rate, uint64_t seed, int fresh, double *params, double *loss,
    const nrx_env *env);
typedef struct nrx_dyn_mlp { size_t n, hidden; const double *params; } nrx_dyn_mlp;
NRX_DEF nrx_status nrx_dyn_mlp_field(const nrx_dyn_mlp *m, nrx_vfield *out); /* hidden <= 1024 */

/* Measures of a reconstruction. D_stsp: Kullback-Leibler divergence of the binned state distributions (30
 * bins per axis over the truth's range +- 0.1 sd; for d > 5 of Gaussian mixtures at 1000 points). D_H: mean
 * Hellinger distance of smoothed power spectra. NRX_E_NUMERIC when nothing generated lies in the truth's
 * range. Report them beside truth against truth. */
NRX_DEF nrx_status nrx_dyn_state_divergence(size_t n, const double *truth, size_t m, const double *generated,
    size_t d, double *kl);
NRX_DEF nrx_status nrx_dyn_spectral_distance(size_t n, const double *truth, const double *generated, size_t d,
    double smoothing, double *hellinger);
/* First time |x - y| / rms |x| exceeds `threshold`, in units of `unit` time (e.g. 1 / lambda_1); the whole
 * span if never. */
NRX_DEF double nrx_dyn_valid_time(size_t n, size_t d, const double *truth, const double *forecast, double dt,
    double threshold, double unit);
NRX_DEF double nrx_dyn_smape(size_t count, const double *truth, const double *forecast); /* 0 .. 200 % */

/* Forecast skill on a catalogue system: one row of a skill table (as in Gilpin's "Chaos as an interpretable
 * benchmark", 2021). An orbit of the system is sampled `per_period` times a period and standardised; at each
 * of `starts` places the forecaster gets the `train` states before and must continue `count` states. Medians
 * over the starts. forecast(user, dt, n, d, past [n][d], count, out [count][d]); NULL = next-generation
 * reservoir with its default noise. A forecaster that returns an error scores 0 and 200 % at that start.
 * Driven systems carry a phase that grows for ever: their rows say little. */
typedef struct nrx_dyn_skill_desc {
  size_t starts, train, count, per_period; /* 0 = 15, 1500, 400, 50 */
  double threshold;                        /* of the valid prediction time; 0 = 0.4 */
  nrx_status (*forecast)(void *user, double dt, size_t n, size_t d, const double *past, size_t count,
      double *out);
  void *user;
  nrx_env env;
} nrx_dyn_skill_desc;
typedef struct nrx_dyn_skill_row {
  double valid;     /* median valid prediction time in Lyapunov times, in periods when lambda_1 is not
                       positive */
  double smape;     /* median sMAPE over `count` states, per cent */
  double horizon;   /* count in the same unit: no valid time can be longer */
  int lyapunov;     /* 1 = the unit is the Lyapunov time of the catalogue */
  size_t failed;    /* starts at which the forecaster failed */
} nrx_dyn_skill_row;
NRX_DEF nrx_status nrx_dyn_skill(const nrx_dyn_system *s, const nrx_dyn_skill_desc *desc,
    nrx_dyn_skill_row *out);

/* ======================================== 8. symbolic regression ================ */

/* Trees of the single operator eml(x, y) = exp(x) - ln(y) (Odrzywolek 2026), in postfix text: '1', 'x', 'y',
 * ... are leaves, 'E' applies eml to the two values before it. Evaluates at vars [26] ('a' .. 'z'); complex,
 * principal branch; NRX_E_FORMAT for a malformed text. */
NRX_DEF nrx_status nrx_dyn_eml_eval(const char *postfix, const double *vars, double value[2]);
/* Search for a law y = f(x): all eml trees with up to `leaves` leaves over {1, variables} in order of size;
 * the first within `tolerance` (relative root mean square) or the best found. x [n][d] (d <= 3), text
 * receives the postfix tree, error its misfit. */
NRX_DEF nrx_status nrx_dyn_eml_search(size_t n, size_t d, const double *x, const double *y, size_t leaves,
    double tolerance, char *text, size_t size, double *error, const nrx_env *env);

/* ======================================== 9. model collapse ================ */

/* Refitting a model to its own samples, generation after generation (Shumailov et al., Nature 2024). Truth
 * and fit:
 *   GAUSSIAN  N(0, 1); mean and variance by maximum likelihood
 *   MIXTURE   N(-2, 1/4) and N(2, 1/4), half each (variance 4.25); two components by twenty steps of EM
 *   KDE       N(0, 1); Gaussian kernels of width h = 1.06 sd m^(-1/5) (Silverman)
 *   VAE       N(0, diag(3/2, 1/2)); linear variational autoencoder with one latent variable, trained on its
 *             evidence bound (its
 *             optimum is probabilistic PCA: Lucas et al., NeurIPS 2019); variance is half the trace, mean the
 *             first component's
 * `keep` is the share of original samples in every generation. variance and mean [generations + 1] are
 * averages over `runs` of the samples' own, drawn from the fit before (generation 0: from the truth);
 * expected [generations + 1] (or NULL) is the closed form of E variance. Every fit keeps the variance of its
 * samples (KDE adds h^2), so with V that of the samples, U = E mean^2, B = keep truth + (1 - keep) V (1 + h^2
 * / V): V' = (1 - 1/m) B + keep (1 - keep) U, U' = B / m + (1 - keep)^2 U; for keep = 0 and no KDE truth (1 -
 * 1/m)^(g+1). Cost: runs * generations * samples, for MIXTURE twenty times that. */
enum { NRX_DYN_COLLAPSE_GAUSSIAN = 0, NRX_DYN_COLLAPSE_MIXTURE = 1, NRX_DYN_COLLAPSE_KDE = 2,
    NRX_DYN_COLLAPSE_VAE = 3 };
NRX_DEF nrx_status nrx_dyn_collapse(int kind, size_t samples, size_t generations, double keep, size_t runs,
    uint64_t seed, double *variance, double *mean, double *expected, const nrx_env *env);

#ifdef __cplusplus
}
#endif
#endif /* NRX_DYNSYS_H */

#if (defined(NRX_DYNSYS_IMPLEMENTATION) || defined(NRX_IMPLEMENTATION) || defined(NRX_STATIC)) \
    && !defined(NRX_DYNSYS_IMPL_DONE_)
#define NRX_DYNSYS_IMPL_DONE_
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
static nrx_status nrxi_dyn_oom(const nrx_env *env, const char *who) {
  return nrxi_fail(env, NRX_E_NOMEM, "%s: out of memory", who); }

/* ======================================== small dense linear algebra ================ */

/* Row-major, double, for matrices of at most a few hundred columns. Kept short: Householder QR, one-sided Jacobi
   SVD (high relative accuracy of small singular values, which the audit lives on), Jacobi for symmetric and complex
   QR for general eigenproblems. Why not the shared blocks: these 470 lines with the FFT below are 21 kB; the blocks
   linalg and fft are 2,460 lines and 115 kB, made for f32 twins and large matrices, and would push this header past
   its 10,000 lines. tests/unit/dynsys_linalg.c holds the two against each other. */

static double nrxi_dyn_dot(size_t n, const double *x, const double *y)
{
  double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  size_t i;
  for (i = 0; i + 4 <= n; i += 4) { s0 += x[i] * y[i]; s1 += x[i + 1] * y[i + 1]; s2 += x[i + 2] * y[i + 2];
    s3 += x[i + 3] * y[i + 3]; }
  for (; i < n; i++) s0 += x[i] * y[i];
  return (s0 + s1) + (s2 + s3);
}

static void nrxi_dyn_axpy(size_t n, double a, const double *NRX_RESTRICT x, double *NRX_RESTRICT y)
{
  size_t i = 0;
#if defined(NRXI_VEC) && __FLT_EVAL_METHOD__ == 0 /* with excess precision vector times scalar does not
            compile */
  for (; i + 4 <= n; i += 4) *(nrxi_f64x4u *)(y + i) += a * *(const nrxi_f64x4u *)(x + i);
#endif
  for (; i < n; i++) y[i] += a * x[i];
}

static nrx_status nrxi_dyn_cholesky(size_t n, double *a) /* lower triangle */
{
  size_t i, j;
  for (i = 0; i < n; i++)
    for (j = 0; j <= i; j++) {
      double v = a[i * n + j] - nrxi_dyn_dot(j, a + i * n, a + j * n);
      if (j < i) a[i * n + j] = v / a[j * n + j];
      else if (!(v > 0) || !nrxi_finite_f64(&v)) return NRX_E_NUMERIC;
      else a[i * n + i] = sqrt(v);
    }
  return NRX_OK;
}

static void nrxi_dyn_forward(size_t n, const double *l, double *b, size_t nrhs) /* L^-1 b, b [n][nrhs] */
{
  size_t i, j, k;
  for (i = 0; i < n; i++) {
    for (j = 0; j < i; j++) nrxi_dyn_axpy(nrhs, -l[i * n + j], b + j * nrhs, b + i * nrhs);
    for (k = 0; k < nrhs; k++) b[i * nrhs + k] /= l[i * n + i];
  }
}

static nrx_status nrxi_dyn_cholesky_solve(size_t n, const double *l, double *b, size_t nrhs)
{
  size_t i, j, k;
  nrxi_dyn_forward(n, l, b, nrhs);
  for (i = n; i-- > 0;) {
    for (k = 0; k < nrhs; k++) b[i * nrhs + k] /= l[i * n + i];
    for (j = 0; j < i; j++) nrxi_dyn_axpy(nrhs, -l[i * n + j], b + i * nrhs, b + j * nrhs);
  }
  return NRX_OK;
}

static nrx_status nrxi_dyn_lu(size_t n, double *a, size_t *piv)
{
  size_t i, j, k;
  for (k = 0; k < n; k++) {
    size_t p = k;
    for (i = k + 1; i < n; i++) if (fabs(a[i * n + k]) > fabs(a[p * n + k])) p = i;
    piv[k] = p;
    if (!(fabs(a[p * n + k]) > 0) || !nrxi_finite_f64(&a[p * n + k])) return NRX_E_NUMERIC;
    for (j = 0; j < n && p != k; j++) { double t = a[k * n + j]; a[k * n + j] = a[p * n + j];
      a[p * n + j] = t; }
    for (i = k + 1; i < n; i++) {
      a[i * n + k] /= a[k * n + k];
      nrxi_dyn_axpy(n - k - 1, -a[i * n + k], a + k * n + k + 1, a + i * n + k + 1);
    }
  }
  return NRX_OK;
}

static void nrxi_dyn_lu_solve(size_t n, const double *a, const size_t *piv, double *b)
{
  size_t i;
  for (i = 0; i < n; i++) { double t = b[i]; b[i] = b[piv[i]]; b[piv[i]] = t; }
  for (i = 0; i < n; i++) b[i] -= nrxi_dyn_dot(i, a + i * n, b);
  for (i = n; i-- > 0;) b[i] = (b[i] - nrxi_dyn_dot(n - i - 1, a + i * n + i + 1, b + i + 1)) / a[i * n + i];
}

/* A hot body that is instantiated for several constant n and instruction sets. */
#if (defined(__GNUC__) || defined(__clang__)) && !defined(__TINYC__)
#define NRXI_DYN_HOT NRXI_UNUSED static inline __attribute__((always_inline))
#else
#define NRXI_DYN_HOT NRX_INLINE
#endif

/* Applies the reflector in column j to the columns after it, a few at a time: for short rows. */
NRXI_DYN_HOT void nrxi_dyn_reflect(size_t m, size_t n, size_t j, double tau, double *a)
{
  size_t i, k = j + 1;
#if defined(NRXI_VEC) && __FLT_EVAL_METHOD__ == 0
  for (; k + 4 <= n; k += 4) {
    nrxi_f64x4 s = *(const nrxi_f64x4u *)(a + j * n + k), z;
    memset(&z, 0, sizeof z);
    for (i = j + 1; i + 1 < m; i += 2) {
      s += *(const nrxi_f64x4u *)(a + i * n + k) * a[i * n + j];
      z += *(const nrxi_f64x4u *)(a + i * n + n + k) * a[i * n + n + j];
    }
    if (i < m) s += *(const nrxi_f64x4u *)(a + i * n + k) * a[i * n + j];
    s = (s + z) * -tau;
    *(nrxi_f64x4u *)(a + j * n + k) += s;
    for (i = j + 1; i < m; i++) *(nrxi_f64x4u *)(a + i * n + k) += s * a[i * n + j];
  }
#endif
  for (; k < n; k++) {
    double s = a[j * n + k];
    for (i = j + 1; i < m; i++) s += a[i * n + j] * a[i * n + k];
    s *= -tau;
    a[j * n + k] += s;
    for (i = j + 1; i < m; i++) a[i * n + k] += s * a[i * n + j];
  }
}

/* R into the upper triangle of a [m][n]; reflectors below it with their leading entries in tau's first half:
 * v0, then 2 / v.v; tau [2 n], w [n]. */
NRXI_DYN_HOT nrx_status nrxi_dyn_qr_body(size_t m, size_t n, double *a, double *tau, double *w)
{
  size_t i, j, k = m < n ? m : n;
  if (!nrxi_all_finite(a, m * n, NRX_F64)) return NRX_E_NUMERIC;
  for (j = 0; j < k; j++) {
    double big = 1, s = 0, z = 0, v0, beta;
    for (i = j; i + 1 < m; i += 2) {
      s += a[i * n + j] * a[i * n + j];
      z += a[i * n + n + j] * a[i * n + n + j];
    }
    if (i < m) s += a[i * n + j] * a[i * n + j];
    s += z;
    if (!(s > 1e-280 && s < 1e280)) { /* squares that overflow or vanish: scaled */
      for (big = 0, i = j; i < m; i++) { double v = fabs(a[i * n + j]); if (v > big) big = v; }
      for (s = 0, i = j; i < m && big > 0; i++) { double v = a[i * n + j] / big; s += v * v; }
    }
    tau[2 * j] = tau[2 * j + 1] = 0;
    if (big == 0) continue;
    beta = a[j * n + j] > 0 ? -big * sqrt(s) : big * sqrt(s);
    v0 = a[j * n + j] - beta;
    s = -beta / v0; /* half the square of v = (1, ...) */
    z = big == 1 ? 1 / v0 : 0;
    for (i = j + 1; i < m; i++) a[i * n + j] = z != 0 ? a[i * n + j] * z : a[i * n + j] / v0;
    tau[2 * j] = v0;
    tau[2 * j + 1] = 1 / s;
    if (n <= 16) {
      nrxi_dyn_reflect(m, n, j, 1 / s, a);
      a[j * n + j] = beta;
      continue;
    }
    memcpy(w, a + j * n + j + 1, (n - j - 1) * sizeof(double));
    for (i = j + 1; i < m; i++) nrxi_dyn_axpy(n - j - 1, a[i * n + j], a + i * n + j + 1, w);
    nrxi_dyn_axpy(n - j - 1, -tau[2 * j + 1], w, a + j * n + j + 1);
    for (i = j + 1; i < m; i++) nrxi_dyn_axpy(n - j - 1, -tau[2 * j + 1] * a[i * n + j], w,
        a + i * n + j + 1);
    a[j * n + j] = beta;
  }
  return NRX_OK;
}

#if defined(NRXI_X86)
NRXI_AVX2 static nrx_status nrxi_dyn_qr_avx2(size_t m, size_t n, double *a, double *tau, double *w) {
  return nrxi_dyn_qr_body(m, n, a, tau, w); }
#endif
static nrx_status nrxi_dyn_qr(size_t m, size_t n, double *a, double *tau, double *w)
{
#if defined(NRXI_X86)
  if (nrxi_cpu_avx2()) return nrxi_dyn_qr_avx2(m, n, a, tau, w);
#endif
  return nrxi_dyn_qr_body(m, n, a, tau, w);
}

/* c [m][cols] <- Q c (or Q^T c) with k reflectors of a [m][n]; w [cols]. */
static void nrxi_dyn_q(int trans, size_t m, size_t n, size_t k, const double *a, const double *tau,
    size_t cols, double *c, double *w)
{
  size_t step, i;
  for (step = 0; step < k; step++) {
    size_t j = trans ? step : k - 1 - step;
    memcpy(w, c + j * cols, cols * sizeof(double));
    for (i = j + 1; i < m; i++) nrxi_dyn_axpy(cols, a[i * n + j], c + i * cols, w);
    nrxi_dyn_axpy(cols, -tau[2 * j + 1], w, c + j * cols);
    for (i = j + 1; i < m; i++) nrxi_dyn_axpy(cols, -tau[2 * j + 1] * a[i * n + j], w, c + i * cols);
  }
}

/* A = U diag(s) V^T, k = min(m, n): s [k] descending, u [m][k], vt [k][n], both or neither NULL; a is
 * destroyed. */
static size_t nrxi_dyn_svd_work(size_t m, size_t n) { size_t k = m < n ? m : n;
  return m * n + 2 * k * k + 8 * (m + n); }
static nrx_status nrxi_dyn_svd(size_t m, size_t n, double *a, double *s, double *u, double *vt, double *w)
{
  size_t i, j, k, l;
  double *G, *V, *tau, top = 0;
  int sweep, rotated = 1;
  nrx_status st;
  if (m < n) { /* transpose, swap the roles of u and v */
    double *t = w, *ut = u ? vt : NULL, *v2 = u;
    for (i = 0; i < m; i++) for (j = 0; j < n; j++) t[j * m + i] = a[i * n + j];
    memcpy(a, t, m * n * sizeof(double));
    st = nrxi_dyn_svd(n, m, a, s, ut, v2, w);
    for (i = 0; u && i < n; i++) for (j = 0; j < m; j++) w[j * n + i] = vt[i * m + j];
    for (i = 0; u && i < m; i++) for (j = 0; j < m; j++) w[m * n + j * m + i] = u[i * m + j];
    if (u) { memcpy(vt, w, m * n * sizeof(double)); memcpy(u, w + m * n, m * m * sizeof(double)); }
    return st;
  }
  G = w; V = G + n * n; tau = V + n * n;
  st = nrxi_dyn_qr(m, n, a, tau, tau + 2 * n);
  if (st != NRX_OK) return st;
  for (i = 0; i < n; i++) for (j = 0; j < n; j++) { G[j * n + i] = i <= j ? a[i * n + j] : 0.0;
    V[i * n + j] = i == j; }
  for (sweep = 0; sweep < 60 && rotated; sweep++) /* rows of G are columns of R V */
    for (rotated = 0, i = 0; i + 1 < n; i++)
      for (j = i + 1; j < n; j++) {
        double *p = G + i * n, *q = G + j * n, x = nrxi_dyn_dot(n, p, p), y = nrxi_dyn_dot(n, q, q),
            z = nrxi_dyn_dot(n, p, q), t, c, sn;
        if (fabs(z) <= 1e-15 * sqrt(x) * sqrt(y) || x + y < 1e-290) continue;
        rotated = 1;
        t = (y - x) / (2 * z);
        t = (t >= 0 ? 1.0 : -1.0) / (fabs(t) + sqrt(1 + t * t));
        c = 1 / sqrt(1 + t * t);
        sn = c * t;
        for (k = 0; k < n; k++) {
          double g = p[k], h = q[k], e = V[i * n + k], f = V[j * n + k];
          p[k] = c * g - sn * h; q[k] = sn * g + c * h;
          V[i * n + k] = c * e - sn * f; V[j * n + k] = sn * e + c * f;
        }
      }
  for (i = 0; i < n; i++) { s[i] = sqrt(nrxi_dyn_dot(n, G + i * n, G + i * n)); if (s[i] > top) top = s[i]; }
  for (i = 0; i < n; i++) { /* selection sort, rows follow */
    for (l = i, j = i + 1; j < n; j++) if (s[j] > s[l]) l = j;
    for (k = 0; k < n && l != i; k++) {
      double t = G[i * n + k]; G[i * n + k] = G[l * n + k]; G[l * n + k] = t;
      t = V[i * n + k]; V[i * n + k] = V[l * n + k]; V[l * n + k] = t;
    }
    { double t = s[i]; s[i] = s[l]; s[l] = t; }
  }
  if (!u) return NRX_OK;
  memcpy(vt, V, n * n * sizeof(double));
  memset(u, 0, m * n * sizeof(double));
  for (j = 0; j < n; j++) for (i = 0; i < n && s[j] > 0; i++) u[i * n + j] = G[j * n + i] / s[j];
  nrxi_dyn_q(0, m, n, n, a, tau, n, u, tau + 2 * n);
  return NRX_OK;
}

/* Minimum-norm least squares: b [max(m, n)][nrhs], its first m rows in, first n out; singular values below
   rcond * largest count as zero (rcond < 0: round-off); a is destroyed. */
static size_t nrxi_dyn_lstsq_work(size_t m, size_t n, size_t nrhs)
{
  size_t k = m < n ? m : n;
  return m * k + k * n + k + k * nrhs + nrxi_dyn_svd_work(m, n);
}
static nrx_status nrxi_dyn_lstsq(size_t m, size_t n, double *a, double *b, size_t nrhs, double rcond,
    size_t *rank, double *w)
{
  size_t k = m < n ? m : n, i, j, l, r;
  double *u = w, *vt = u + m * k, *s = vt + k * n, *c = s + k;
  nrx_status st = nrxi_dyn_svd(m, n, a, s, u, vt, c + k * nrhs);
  if (st != NRX_OK) return st;
  if (rcond < 0) rcond = 2.3e-16 * (double)(m > n ? m : n);
  for (r = 0; r < k && s[r] > rcond * s[0]; r++) { }
  if (rank) *rank = r;
  memset(c, 0, k * nrhs * sizeof(double));
  for (l = 0; l < m; l++) for (i = 0; i < r; i++)
    nrxi_dyn_axpy(nrhs, u[l * k + i] / s[i], b + l * nrhs, c + i * nrhs);
  memset(b, 0, n * nrhs * sizeof(double));
  for (i = 0; i < r; i++) for (j = 0; j < n; j++)
    nrxi_dyn_axpy(nrhs, vt[i * n + j], c + i * nrhs, b + j * nrhs);
  return NRX_OK;
}

/* Symmetric a = V diag(w) V^T by cyclic Jacobi rotations; w ascending, columns of a are the vectors; work [n
 * n]. */
static size_t nrxi_dyn_eigh_work(size_t n) { return n * n; }
static nrx_status nrxi_dyn_eigh(size_t n, double *a, double *w, double *V)
{
  size_t i, j, k;
  int sweep;
  if (!nrxi_all_finite(a, n * n, NRX_F64)) return NRX_E_NUMERIC;
  for (i = 0; i < n; i++) for (j = 0; j < n; j++) V[i * n + j] = i == j; /* rows are vectors */
  for (sweep = 0; sweep < 60; sweep++) {
    double off = 0, all = 0;
    for (i = 0; i < n; i++) for (j = 0; j < n; j++) { all += a[i * n + j] * a[i * n + j];
      off += i != j ? a[i * n + j] * a[i * n + j] : 0; }
    if (off <= 1e-31 * all) break;
    for (i = 0; i + 1 < n; i++)
      for (j = i + 1; j < n; j++) {
        double z = a[i * n + j], t, c, s;
        if (fabs(z) < 1e-300) continue;
        t = (a[j * n + j] - a[i * n + i]) / (2 * z);
        t = (t >= 0 ? 1.0 : -1.0) / (fabs(t) + sqrt(1 + t * t));
        c = 1 / sqrt(1 + t * t);
        s = c * t;
        for (k = 0; k < n; k++) { double p = a[i * n + k], q = a[j * n + k]; a[i * n + k] = c * p - s * q;
          a[j * n + k] = s * p + c * q; }
        for (k = 0; k < n; k++) { double p = a[k * n + i], q = a[k * n + j]; a[k * n + i] = c * p - s * q;
          a[k * n + j] = s * p + c * q; }
        for (k = 0; k < n; k++) { double p = V[i * n + k], q = V[j * n + k]; V[i * n + k] = c * p - s * q;
          V[j * n + k] = s * p + c * q; }
      }
  }
  for (i = 0; i < n; i++) w[i] = a[i * n + i];
  for (i = 0; i < n; i++) {
    size_t l = i;
    double t;
    for (j = i + 1; j < n; j++) if (w[j] < w[l]) l = j;
    t = w[i]; w[i] = w[l]; w[l] = t;
    for (k = 0; k < n && l != i; k++) { t = V[i * n + k]; V[i * n + k] = V[l * n + k]; V[l * n + k] = t; }
  }
  for (i = 0; i < n; i++) for (j = 0; j < n; j++) a[j * n + i] = V[i * n + j];
  return NRX_OK;
}

/* Rows (or columns) x, y of complex numbers, stride in complex numbers: x <- c x + s y, y <- -conj(s) x + c
 * y. */
static void nrxi_dyn_crotate(size_t n, double *x, double *y, size_t stride, double c, double sr, double si)
{
  size_t i;
  for (i = 0; i < n; i++, x += 2 * stride, y += 2 * stride) {
    double a = x[0], b = x[1], p = y[0], q = y[1];
    x[0] = c * a + sr * p - si * q; x[1] = c * b + sr * q + si * p;
    y[0] = c * p - sr * a - si * b; y[1] = c * q - sr * b + si * a;
  }
}

/* General real a [n][n]: eigenvalues w [n][2], unit right vectors v [n][n][2] in columns (or NULL); work 4 n
 * n + 4 n. */
static size_t nrxi_dyn_eig_work(size_t n) { return 4 * n * n + 4 * n; }
static nrx_status nrxi_dyn_eig(size_t n, const double *a, double *w, double *v, double *work)
{
  double *H = work, *Z = H + 2 * n * n, *g = Z + 2 * n * n, norm = 0;
  size_t i, j, k, hi, lo, count = 0;
  if (!nrxi_all_finite(a, n * n, NRX_F64)) return NRX_E_NUMERIC;
  for (i = 0; i < n * n; i++) { H[2 * i] = a[i]; H[2 * i + 1] = Z[2 * i] = Z[2 * i + 1] = 0;
    norm += a[i] * a[i]; }
  for (i = 0; i < n; i++) Z[2 * (i * n + i)] = 1;
  norm = sqrt(norm);
  for (j = 0; j + 2 < n; j++) /* Hessenberg form by rotations */
    for (i = n - 1; i > j + 1; i--) {
      double p = H[2 * ((i - 1) * n + j)], q = H[2 * (i * n + j)], r = hypot(p, q);
      if (q == 0) continue;
      nrxi_dyn_crotate(n, H + 2 * (i - 1) * n, H + 2 * i * n, 1, p / r, q / r, 0);
      nrxi_dyn_crotate(n, H + 2 * (i - 1), H + 2 * i, n, p / r, q / r, 0);
      nrxi_dyn_crotate(n, Z + 2 * (i - 1), Z + 2 * i, n, p / r, q / r, 0);
    }
  for (hi = n; hi-- > 1;) {
    for (count = 0; count < 200; count++) {
      double tr, ti, dr, di, er, ei, m, mr, mi;
      double *h = H + 2 * ((hi - 1) * n + hi - 1), *e = H + 2 * (hi * n + hi - 1);
      for (lo = hi; lo > 0; lo--) {
        double *q = H + 2 * (lo * n + lo - 1),
            size = fabs(H[2 * (lo * n + lo)]) + fabs(H[2 * (lo * n + lo) + 1]) + fabs(q[-2 * (ptrdiff_t)n])
                + fabs(q[1 - 2 * (ptrdiff_t)n]);
        if (fabs(q[0]) + fabs(q[1]) <= 2e-16 * (size > 0 ? size : norm)) { q[0] = q[1] = 0; break; }
      }
      if (lo == hi) break;
      /* Wilkinson shift: the eigenvalue of the last 2 x 2 block nearer to its corner; now and then an
         exceptional one */
      tr = 0.5 * (h[0] - e[2]); ti = 0.5 * (h[1] - e[3]);
      dr = tr * tr - ti * ti + h[2] * e[0] - h[3] * e[1]; di = 2 * tr * ti + h[2] * e[1] + h[3] * e[0];
      m = hypot(dr, di);
      er = sqrt(0.5 * (m + fabs(dr))); ei = er > 0 ? 0.5 * di / er : 0;
      if (dr < 0) { double t = er; er = fabs(ei); ei = di < 0 ? -t : t; }
      if (er * tr + ei * ti > 0) { er = -er; ei = -ei; }
      mr = e[2] + tr + er; mi = e[3] + ti + ei;
      if (count % 20 == 19) { mr = e[2] + fabs(e[0]); mi = e[3] + fabs(e[1]); }
      for (k = lo; k <= hi; k++) { H[2 * (k * n + k)] -= mr; H[2 * (k * n + k) + 1] -= mi; }
      for (k = lo; k < hi; k++) {
        double *p = H + 2 * (k * n + k), *q = p + 2 * n, f = hypot(p[0], p[1]),
            r = hypot(f, hypot(q[0], q[1])), c = r > 0 ? f / r : 1, sr = 0, si = 0;
        if (r > 0 && f > 0) { sr = (p[0] * q[0] + p[1] * q[1]) / (f * r);
          si = (p[1] * q[0] - p[0] * q[1]) / (f * r); }
        else if (r > 0) { c = 0; sr = q[0] / r; si = -q[1] / r; }
        g[3 * (k - lo) % (3 * n)] = c; g[3 * (k - lo) + 1] = sr; g[3 * (k - lo) + 2] = si;
        nrxi_dyn_crotate(n - k, p, q, 1, c, sr, si);
      }
      for (k = lo; k < hi; k++) {
        double c = g[3 * (k - lo)], sr = g[3 * (k - lo) + 1], si = g[3 * (k - lo) + 2];
        nrxi_dyn_crotate(k + 2 <= hi ? k + 3 <= hi + 1 ? k + 2 : hi + 1 : hi + 1, H + 2 * k, H + 2 * (k + 1),
            n, c, sr, -si);
        nrxi_dyn_crotate(n, Z + 2 * k, Z + 2 * (k + 1), n, c, sr, -si);
      }
      for (k = lo; k <= hi; k++) { H[2 * (k * n + k)] += mr; H[2 * (k * n + k) + 1] += mi; }
    }
    if (count == 200) return NRX_E_NUMERIC;
  }
  for (i = 0; i < n; i++) { w[2 * i] = H[2 * (i * n + i)];
    w[2 * i + 1] = fabs(H[2 * (i * n + i) + 1]) > 4e-15 * norm ? H[2 * (i * n + i) + 1] : 0.0; }
  for (k = 0; v && k < n; k++) { /* back substitution in the triangle, then Z x */
    double s = 0;
    memset(g, 0, 2 * n * sizeof(double));
    g[2 * k] = 1;
    for (i = k; i-- > 0;) {
      double a_ = 0, b_ = 0, p = H[2 * (i * n + i)] - H[2 * (k * n + k)],
          q = H[2 * (i * n + i) + 1] - H[2 * (k * n + k) + 1], d = p * p + q * q;
      for (j = i + 1; j <= k; j++) { const double *t = H + 2 * (i * n + j);
        a_ -= t[0] * g[2 * j] - t[1] * g[2 * j + 1]; b_ -= t[0] * g[2 * j + 1] + t[1] * g[2 * j]; }
      if (d < 1e-32 * norm * norm) { p = 1e-16 * norm + 1e-300; q = 0; d = p * p; }
      g[2 * i] = (a_ * p + b_ * q) / d;
      g[2 * i + 1] = (b_ * p - a_ * q) / d;
    }
    for (i = 0; i < n; i++) {
      double a_ = 0, b_ = 0;
      for (j = 0; j <= k; j++) { const double *z = Z + 2 * (i * n + j);
        a_ += z[0] * g[2 * j] - z[1] * g[2 * j + 1]; b_ += z[0] * g[2 * j + 1] + z[1] * g[2 * j]; }
      v[2 * (i * n + k)] = a_; v[2 * (i * n + k) + 1] = b_;
      s += a_ * a_ + b_ * b_;
    }
    for (i = 0; i < n; i++) { v[2 * (i * n + k)] /= sqrt(s); v[2 * (i * n + k) + 1] /= sqrt(s); }
  }
  return NRX_OK;
}

/* ======================================== a small FFT ================ */

/* Any length, double precision, for spectra, surrogates and Kuramoto-Sivashinsky: radix 2, Bluestein for the
   rest. Real transforms go through the complex one. Unnormalised; `inverse` changes the sign of the
   exponent. */
typedef struct nrxi_dyn_fft { size_t n, m; double *mem, *root, *chirp, *kernel; nrx_env env; } nrxi_dyn_fft;

/* root [m/2][2] = exp(-2 pi i k / m) */
static void nrxi_dyn_fft_pow2(size_t m, const double *root, int inverse, double *z)
{
  size_t i, j = 0, k, len, step;
  for (i = 1; i < m; i++) { /* bit reversal */
    size_t bit = m >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      double a = z[2 * i], b = z[2 * i + 1];
      z[2 * i] = z[2 * j]; z[2 * i + 1] = z[2 * j + 1];
      z[2 * j] = a; z[2 * j + 1] = b;
    }
  }
  for (len = 2; len <= m; len <<= 1)
    for (step = m / len, i = 0; i < m; i += len)
      for (k = 0; k < len / 2; k++) {
        double c = root[2 * k * step], s = inverse ? -root[2 * k * step + 1] : root[2 * k * step + 1];
        double *p = z + 2 * (i + k), *q = p + len, a = q[0] * c - q[1] * s, b = q[0] * s + q[1] * c;
        q[0] = p[0] - a; q[1] = p[1] - b;
        p[0] += a; p[1] += b;
      }
}

static void nrxi_dyn_fft_drop(nrxi_dyn_fft *p) { nrxi_free(&p->env, p->mem); memset(p, 0, sizeof *p); }

static nrx_status nrxi_dyn_fft_plan(nrxi_dyn_fft *p, size_t n, const nrx_env *env)
{
  size_t i, square = 0;
  memset(p, 0, sizeof *p);
  if (env) p->env = *env;
  if (n == 0 || n > (size_t)-1 / 1024) return NRX_E_RANGE;
  p->n = n;
  for (p->m = 1; p->m < n; p->m <<= 1) { }
  if (p->m != n) for (p->m = 1; p->m < 2 * n; p->m <<= 1) { }
  p->mem = (double *)nrxi_calloc(env, p->m + (p->m != n ? 2 * n + 2 * p->m : 0) + 2, sizeof(double));
  if (!p->mem) return NRX_E_NOMEM;
  p->root = p->mem;
  for (i = 0; i < p->m / 2; i++) {
    p->root[2 * i] = cos(2 * NRX_PI * (double)i / (double)p->m);
    p->root[2 * i + 1] = -sin(2 * NRX_PI * (double)i / (double)p->m);
  }
  if (p->m == n) return NRX_OK;
  p->chirp = p->root + p->m;
  p->kernel = p->chirp + 2 * n;
  for (i = 0; i < n; i++) { /* exp(-i pi k^2 / n), k^2 modulo 2 n */
    double c = cos(NRX_PI * (double)square / (double)n), s = sin(NRX_PI * (double)square / (double)n);
    size_t back = i ? p->m - i : 0;
    p->chirp[2 * i] = c; p->chirp[2 * i + 1] = -s;
    p->kernel[2 * i] = p->kernel[2 * back] = c;
    p->kernel[2 * i + 1] = p->kernel[2 * back + 1] = s;
    square = (square + 2 * i + 1) % (2 * n);
  }
  nrxi_dyn_fft_pow2(p->m, p->root, 0, p->kernel);
  return NRX_OK;
}

static size_t nrxi_dyn_fft_work(const nrxi_dyn_fft *p) { return 2 * p->m + 2 * p->n; }

static void nrxi_dyn_fft_run(const nrxi_dyn_fft *p, int inverse, double *z, double *work) /* in place */
{
  size_t i, n = p->n, m = p->m;
  double sign = inverse ? -1.0 : 1.0;
  if (m == n) { nrxi_dyn_fft_pow2(m, p->root, inverse, z); return; }
  memset(work, 0, 2 * m * sizeof(double));
  for (i = 0; i < n; i++) { /* conjugate in and out for the inverse */
    double a = z[2 * i], b = sign * z[2 * i + 1], c = p->chirp[2 * i], s = p->chirp[2 * i + 1];
    work[2 * i] = a * c - b * s;
    work[2 * i + 1] = a * s + b * c;
  }
  nrxi_dyn_fft_pow2(m, p->root, 0, work);
  for (i = 0; i < m; i++) {
    double a = work[2 * i], b = work[2 * i + 1], c = p->kernel[2 * i], s = p->kernel[2 * i + 1];
    work[2 * i] = a * c - b * s;
    work[2 * i + 1] = a * s + b * c;
  }
  nrxi_dyn_fft_pow2(m, p->root, 1, work);
  for (i = 0; i < n; i++) {
    double a = work[2 * i] / (double)m, b = work[2 * i + 1] / (double)m, c = p->chirp[2 * i],
        s = p->chirp[2 * i + 1];
    z[2 * i] = a * c - b * s;
    z[2 * i + 1] = sign * (a * s + b * c);
  }
}

/* n reals to n/2 + 1 complex numbers and back. */
static void nrxi_dyn_rfft(const nrxi_dyn_fft *p, const double *x, double *c, double *work)
{
  double *z = work + 2 * p->m;
  size_t i;
  for (i = 0; i < p->n; i++) { z[2 * i] = x[i]; z[2 * i + 1] = 0.0; }
  nrxi_dyn_fft_run(p, 0, z, work);
  memcpy(c, z, 2 * (p->n / 2 + 1) * sizeof(double));
}
static void nrxi_dyn_irfft(const nrxi_dyn_fft *p, const double *c, double *x, double *work)
{
  double *z = work + 2 * p->m;
  size_t i, n = p->n;
  for (i = 0; i < n; i++) {
    size_t k = i <= n / 2 ? i : n - i;
    z[2 * i] = c[2 * k];
    z[2 * i + 1] = i == 0 || 2 * i == n ? 0.0 : i <= n / 2 ? c[2 * k + 1] : -c[2 * k + 1];
  }
  nrxi_dyn_fft_run(p, 1, z, work);
  for (i = 0; i < n; i++) x[i] = z[2 * i];
}

/* ======================================== solving ================ */

static double nrxi_dyn_min(double a, double b) { return a < b ? a : b; }
static double nrxi_dyn_max(double a, double b) { return a > b ? a : b; }

/* x^(-1/m) for step factors, m = 10 or 16, within 4 %, from the bits of x alone: it lies on the critical path
   from one step to the next, where pow would cost as much as a stage. */
static double nrxi_dyn_root(double x, int m)
{
  uint64_t bits;
  double y;
  x = x > 1e-30 ? x : 1e-30;
  x = x < 1e30 ? x : 1e30;
  memcpy(&bits, &x, 8);
  bits = m == 16 ? 0x43ee2f1a9fbe76c9u - (bits >> 4) : 0x4653eb851eb8551fu - bits / 10u;
  memcpy(&y, &bits, 8);
  return y;
}

/* -- tableaux -- */

/* Rows of a (lower triangle, 7 stages, the last row is b), nodes c, error weights e = b - b^, first four are
   public facts of Dormand & Prince 1980 and Tsitouras 2011. */
typedef struct nrxi_dyn_rk7 { double c[5], a[21], e[7]; } nrxi_dyn_rk7;

static const nrxi_dyn_rk7 nrxi_dyn_rk7_dp5 = {
  {1.0 / 5, 3.0 / 10, 4.0 / 5, 8.0 / 9, 1.0},
  {1.0 / 5, 3.0 / 40, 9.0 / 40, 44.0 / 45, -56.0 / 15, 32.0 / 9, 19372.0 / 6561, -25360.0 / 2187,
      64448.0 / 6561,
     -212.0 / 729, 9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656, 35.0 / 384, 0.0,
     500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84},
  {71.0 / 57600, 0.0, -71.0 / 16695, 71.0 / 1920, -17253.0 / 339200, 22.0 / 525, -1.0 / 40}};

static const nrxi_dyn_rk7 nrxi_dyn_rk7_tsit5 = {
  {0.161, 0.327, 0.9, 0.9800255409045097, 1.0},
  {0.161, -0.008480655492356989, 0.335480655492357, 2.8971530571054935, -6.359448489975075,
      4.3622954328695815,
     5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525, 5.86145544294642,
     -12.92096931784711, 8.159367898576159, -0.071584973281401, -0.028269050394068383, 0.09646076681806523,
         0.01,
     0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774},
  {-0.00178001105222577714, -0.0008164344596567469, 0.007880878010261995, -0.1447110071732629,
      0.5823571654525552,
     -0.45808210592918697, 0.015151515151515152}};

/* Dense output of Dormand-Prince: the fifth coefficient (Hairer, Norsett & Wanner I, II.6). */
static const double nrxi_dyn_dp5_dense[7] =
    {-12715105075.0 / 11282082432.0, 0.0, 87487479700.0 / 32700410799.0,
  -10690763975.0 / 1880347072.0, 701980252875.0 / 199316789632.0, -1453857185.0 / 822651844.0,
      69997945.0 / 29380423.0};

/* Dense output of Tsitouras: weight of stage i is theta (r0 + r1 theta + r2 theta^2 + r3 theta^3). */
static const double nrxi_dyn_tsit5_dense[7][4] = {
  {1.0, -2.763706197274826, 2.9132554618219126, -1.0530884977290216},
  {0.0, 0.13169999999999998, -0.2234, 0.1017},
  {0.0, 3.9302962368947516, -5.941033872131505, 2.490627285651253},
  {0.0, -12.411077166933676, 30.33818863028232, -16.548102889244902},
  {0.0, 37.50931341651104, -88.1789048947664, 47.37952196281928},
  {0.0, -27.896526289197286, 65.09189467479366, -34.87065786149661},
  {0.0, 1.5, -4.0, 2.5}};

/* DOP853 (Hairer, Norsett & Wanner I, II.5): the non-zero entries of the rows of a; b; nodes; the two error
   estimators; the three extra stages and the four rows of the dense output. */
static const double nrxi_dyn_dop853_a[] = {
 0.05260015195876773, 0.0197250569845379, 0.0591751709536137, 0.02958758547680685, 0.08876275643042054,
 0.2413651341592667, -0.8845494793282861, 0.924834003261792, 0.037037037037037035, 0.17082860872947386,
 0.12546768756682242, 0.037109375, 0.17025221101954405, 0.06021653898045596, -0.017578125,
 0.03709200011850479, 0.17038392571223998, 0.10726203044637328, -0.015319437748624402,
 0.008273789163814023, 0.6241109587160757, -3.3608926294469414, -0.868219346841726, 27.59209969944671,
 20.154067550477894, -43.48988418106996, 0.47766253643826434, -2.4881146199716677, -0.590290826836843,
 21.230051448181193, 15.279233632882423, -33.28821096898486, -0.020331201708508627, -0.9371424300859873,
 5.186372428844064, 1.0914373489967295, -8.149787010746927, -18.52006565999696, 22.739487099350505,
 2.4936055526796523, -3.0467644718982196, 2.273310147516538, -10.53449546673725, -2.0008720582248625,
 -17.9589318631188, 27.94888452941996, -2.8589982771350235, -8.87285693353063, 12.360567175794303,
 0.6433927460157636
};
static const double nrxi_dyn_dop853_b[] = {
 0.054293734116568765, 4.450312892752409, 1.8915178993145003, -5.801203960010585, 0.3111643669578199,
 -0.1521609496625161, 0.20136540080403034, 0.04471061572777259
};
static const double nrxi_dyn_dop853_c[] = {
 0.0, 0.05260015195876773, 0.0789002279381516, 0.1183503419072274, 0.2816496580927726,
 0.3333333333333333, 0.25, 0.3076923076923077, 0.6512820512820513, 0.6, 0.8571428571428571, 1.0, 1.0,
 0.1, 0.2, 0.7777777777777778
};
static const double nrxi_dyn_dop853_e3[] = {
 -0.18980075407240762, 4.450312892752409, 1.8915178993145003, -5.801203960010585, -0.4226823213237919,
 -0.1521609496625161, 0.20136540080403034, 0.02265179219836082
};
static const double nrxi_dyn_dop853_e5[] = {
 0.01312004499419488, -1.2251564463762044, -0.4957589496572502, 1.6643771824549864,
 -0.35032884874997366, 0.3341791187130175, 0.08192320648511571, -0.022355307863886294
};
static const double nrxi_dyn_dop853_ax[] = {
 0.056167502283047954, 0.25350021021662483, -0.2462390374708025, -0.12419142326381637,
 0.15329179827876568, 0.00820105229563469, 0.007567897660545699, -0.008298, 0.03183464816350214,
 0.028300909672366776, 0.053541988307438566, -0.05492374857139099, -0.00010834732869724932,
 0.0003825710908356584, -0.00034046500868740456, 0.1413124436746325, -0.42889630158379194,
 -4.697621415361164, 7.683421196062599, 4.06898981839711, 0.3567271874552811, -0.0013990241651590145,
 2.9475147891527724, -9.15095847217987
};
static const double nrxi_dyn_dop853_d[] = {
 -8.428938276109013, 0.5667149535193777, -3.0689499459498917, 2.38466765651207, 2.117034582445028,
 -0.871391583777973, 2.2404374302607883, 0.6315787787694688, -0.08899033645133331, 18.148505520854727,
 -9.194632392478356, -4.436036387594894, 10.427508642579134, 242.28349177525817, 165.20045171727028,
 -374.5467547226902, -22.113666853125306, 7.733432668472264, -30.674084731089398, -9.332130526430229,
 15.697238121770845, -31.139403219565178, -9.35292435884448, 35.81684148639408, 19.985053242002433,
 -387.0373087493518, -189.17813819516758, 527.8081592054236, -11.57390253995963, 6.8812326946963,
 -1.0006050966910838, 0.7777137798053443, -2.778205752353508, -60.19669523126412, 84.32040550667716,
 11.99229113618279, -25.69393346270375, -154.18974869023643, -231.5293791760455, 357.6391179106141,
 93.40532418362432, -37.45832313645163, 104.0996495089623, 29.8402934266605, -43.53345659001114,
 96.32455395918828, -39.17726167561544, -149.72683625798564
};
/* Radau IIA, 3 stages: A^-1 = T diag(mu, complex pair) T^-1 (Hairer & Wanner II, IV.8). */
static const double nrxi_dyn_radau_c[3] = {0.15505102572168219, 0.64494897427831781, 1.0};
static const double nrxi_dyn_radau_e[3] = {-10.048809399827415, 1.3821427331607482, -0.33333333333333333};
static const double nrxi_dyn_radau_mu = 3.6378342527444958, nrxi_dyn_radau_mur = 2.6810828736277521,
          nrxi_dyn_radau_mui = -3.0504301992474105;
static const double nrxi_dyn_radau_t[3][3] = {
  {0.09443876248897524, -0.14125529502095421, 0.03002919410514742},
  {0.25021312296533332, 0.20412935229379994, -0.38294211275726192},
  {1.0, 1.0, 0.0}};
static const double nrxi_dyn_radau_ti[3][3] = {
  {4.17871859155190428, 0.32768282076106237, 0.52337644549944951},
  {-4.17871859155190428, -0.32768282076106237, 0.47662355450055044},
  {0.50287263494578682, -2.57192694985560522, 0.59603920482822492}};
static const double nrxi_dyn_radau_p[3][3] = {
  {10.048809399827415, -25.629591447076641, 15.580782047249226},
  {-1.3821427331607482, 10.296258113743307, -8.9141153805825590},
  {0.33333333333333333, -2.6666666666666667, 3.3333333333333333}};

/* -- the solver object -- */

struct nrx_dyn_solver {
  nrx_vfield f;
  nrx_dyn_solve_desc d;
  nrx_dyn_solve_info info;
  size_t n;
  double dir, t, told, tend, h, hlag;  /* h > 0 is the next step, hlag the one after it (0 = h); dir the
            sign */
  double tseg, hseg;                   /* RK4: start of the run of equal steps */
  size_t iseg;
  double *y, *yold, *ynew, *tmp, *k[16], *dense;
  int dense_ready, fsal;
  /* Radau */
  double *J, *lu_r, *lu_c, *Z, *W, *F, *rhs;
  size_t *piv_r, *piv_c;
  double hold, errold, hlu;
  int have_lu, current_jac, have_sol;
  double *mem;
  size_t *imem;
};

static nrx_status nrxi_dyn_eval(nrx_dyn_solver *s, double t, const double *y, double *dydt)
{
  s->info.evaluations++;
  return s->f.f(s->f.user, t, y, dydt);
}

static double nrxi_dyn_tol(const nrx_dyn_solver *s, size_t i, double a, double b)
{
  double atol = s->d.atols ? s->d.atols[i] : s->d.atol;
  a = fabs(a);
  b = fabs(b);
  return atol + s->d.rtol * (a > b ? a : b);
}

/* First step: Hairer, Norsett & Wanner I, II.4. */
static nrx_status nrxi_dyn_first_step(nrx_dyn_solver *s, double order)
{
  double d0 = 0, d1 = 0, d2 = 0, h0, h1, sc, span = fabs(s->tend - s->t);
  size_t i;
  nrx_status st;
  for (i = 0; i < s->n; i++) {
    sc = nrxi_dyn_tol(s, i, s->y[i], 0.0);
    if (sc <= 0) sc = 1e-300;
    d0 += (s->y[i] / sc) * (s->y[i] / sc);
    d1 += (s->k[0][i] / sc) * (s->k[0][i] / sc);
  }
  d0 = sqrt(d0 / (double)s->n);
  d1 = sqrt(d1 / (double)s->n);
  h0 = d0 < 1e-5 || d1 < 1e-5 ? 1e-6 : 0.01 * d0 / d1;
  h0 = nrxi_dyn_min(h0, span);
  for (i = 0; i < s->n; i++) s->tmp[i] = s->y[i] + s->dir * h0 * s->k[0][i];
  st = nrxi_dyn_eval(s, s->t + s->dir * h0, s->tmp, s->ynew);
  if (st != NRX_OK && st != NRX_E_NUMERIC) return st;
  for (i = 0; i < s->n; i++) {
    double v;
    sc = nrxi_dyn_tol(s, i, s->y[i], 0.0);
    if (sc <= 0) sc = 1e-300;
    v = (s->ynew[i] - s->k[0][i]) / sc;
    d2 += v * v;
  }
  d2 = sqrt(d2 / (double)s->n) / h0;
  if (st != NRX_OK || !nrxi_finite_f64(&d2)) { s->h = h0; return NRX_OK; }
  h1 = d1 <= 1e-15 && d2 <= 1e-15 ? nrxi_dyn_max(1e-6, h0 * 1e-3)
                  : pow(0.01 / nrxi_dyn_max(d1, d2), 1.0 / (order + 1.0));
  s->h = nrxi_dyn_min(nrxi_dyn_min(100.0 * h0, h1), span);
  return NRX_OK;
}

static size_t nrxi_dyn_check_desc(const nrx_vfield *f, const double *y0, const nrx_dyn_solve_desc *d,
    const char *who, nrx_status *st)
{
  const nrx_env *env = &d->env;
  size_t i;
  *st = NRX_E_ARG;
  if (!f || !f->f || !y0 || f->n == 0) {
    (void)nrxi_fail(env, NRX_E_ARG, "%s: needs a field with n > 0 and an initial state", who);
    return 0;
  }
  if (d->method < NRX_DYN_DP5 || d->method > NRX_DYN_RK4) {
    (void)nrxi_fail(env, NRX_E_ARG, "%s: method %d is not one of NRX_DYN_DP5 .. NRX_DYN_RK4", who, d->method);
    return 0;
  }
  if (!nrxi_all_finite(y0, f->n, NRX_F64)) {
    *st = nrxi_fail(env, NRX_E_NUMERIC, "%s: the initial state is not finite", who);
    return 0;
  }
  if (!nrxi_finite_f64(&d->rtol) || !nrxi_finite_f64(&d->atol) || !nrxi_finite_f64(&d->step)
    || !nrxi_finite_f64(&d->max_step) || d->step < 0 || d->max_step < 0
        || (d->rtol < 0 && d->atol < 0 && !d->atols)) {
    (void)nrxi_fail(env, NRX_E_ARG,
        "%s: tolerances and steps must be finite, steps not negative, one tolerance positive", who);
    return 0;
  }
  for (i = 0; d->atols && i < f->n; i++)
    if (!nrxi_finite_f64(&d->atols[i]) || d->atols[i] < 0) {
      (void)nrxi_fail(env, NRX_E_ARG, "%s: atols[%zu] is not a tolerance", who, i);
      return 0;
    }
  *st = NRX_OK;
  return f->n;
}

/* Doubles and pivots the solver needs, carved from two blocks. */
static nrx_status nrxi_dyn_solver_memory(nrx_dyn_solver *s)
{
  static const size_t vectors[5] = {7, 7, 16, 1, 4};
  size_t n = s->n, nn, count, i, k = vectors[s->d.method];
  double *p;
  int radau = s->d.method == NRX_DYN_RADAU5;
  if (!nrxi_mul_ok(n, 4 + k + 7, &count)) return NRX_E_RANGE;
  if (radau) {
    if (!nrxi_mul_ok(n, n, &nn) || !nrxi_mul_ok(nn, 4, &nn) || !nrxi_add_ok(nn, 14 * n, &nn)
      || !nrxi_add_ok(count, nn, &count)) return NRX_E_RANGE;
    s->imem = (size_t *)nrxi_calloc(&s->d.env, 2 * n, sizeof(size_t));
    if (!s->imem) return NRX_E_NOMEM;
  }
  s->mem = p = (double *)nrxi_calloc(&s->d.env, count, sizeof(double));
  if (!p) return NRX_E_NOMEM;
  s->y = p; p += n;
  s->yold = p; p += n;
  s->ynew = p; p += n;
  s->k[0] = p; p += n;
  s->tmp = p; p += n; /* tmp, k[1] .. , dense stand in a row: nrxi_dyn_rk7_body relies on it */
  for (i = 1; i < k; i++, p += n) s->k[i] = p;
  s->dense = p; p += 7 * n;
  if (radau) {
    s->J = p; p += n * n;
    s->lu_r = p; p += n * n;
    s->lu_c = p; p += 2 * n * n;
    s->Z = p; p += 3 * n;
    s->W = p; p += 3 * n;
    s->F = p; p += 3 * n;
    s->rhs = p; /* 5 n */
    s->piv_r = s->imem;
    s->piv_c = s->imem + n;
  }
  return NRX_OK;
}

NRX_DEF void nrx_dyn_solver_free(nrx_dyn_solver *s)
{
  nrx_env env;
  if (!s) return;
  env = s->d.env;
  nrxi_free(&env, s->mem);
  nrxi_free(&env, s->imem);
  nrxi_free(&env, s);
}

NRX_DEF double nrx_dyn_solver_time(const nrx_dyn_solver *s) { return s ? s->t : 0.0; }
NRX_DEF const double *nrx_dyn_solver_state(const nrx_dyn_solver *s) { return s ? s->y : NULL; }

NRX_DEF nrx_status nrx_dyn_solver_create(const nrx_vfield *f, double t0, const double *y0, double t_end,
            const nrx_dyn_solve_desc *desc, nrx_dyn_solver **out)
{
  static const double order[5] = {4, 4, 7, 3, 4};
  nrx_dyn_solve_desc d = NRX_ZERO;
  nrx_dyn_solver *s;
  nrx_status st;
  if (desc) d = *desc;
  if (!out) return nrxi_fail(&d.env, NRX_E_ARG, "nrx_dyn_solver_create: out is NULL");
  *out = NULL;
  if (!nrxi_dyn_check_desc(f, y0, &d, "nrx_dyn_solver_create", &st)) return st;
  if (!nrxi_finite_f64(&t0) || !nrxi_finite_f64(&t_end))
    return nrxi_fail(&d.env, NRX_E_ARG, "nrx_dyn_solver_create: times must be finite");
  d.rtol = d.rtol < 0 ? 0 : d.rtol > 0 ? d.rtol : 1e-8;
  d.atol = d.atol < 0 ? 0 : d.atol > 0 ? d.atol : 1e-10;
  if (d.rtol < 100 * DBL_EPSILON && d.method != NRX_DYN_RK4 && d.rtol > 0) d.rtol = 100 * DBL_EPSILON;
  if (d.max_steps == 0) d.max_steps = 1000000000u;
  s = (nrx_dyn_solver *)nrxi_calloc(&d.env, 1, sizeof *s);
  if (!s) return nrxi_dyn_oom(&d.env, "nrx_dyn_solver_create");
  s->d = d;
  s->f = *f;
  s->n = f->n;
  s->dir = t_end >= t0 ? 1.0 : -1.0;
  s->t = s->told = s->tseg = t0;
  s->tend = t_end;
  st = nrxi_dyn_solver_memory(s);
  if (st != NRX_OK) {
    nrx_dyn_solver_free(s);
    return nrxi_fail(&d.env, st, "nrx_dyn_solver_create: out of memory for n = %zu", f->n);
  }
  memcpy(s->y, y0, s->n * sizeof(double));
  st = nrxi_dyn_eval(s, t0, s->y, s->k[0]);
  if (st == NRX_OK && !nrxi_all_finite(s->k[0], s->n, NRX_F64)) st = NRX_E_NUMERIC;
  if (st == NRX_OK) {
    if (d.method == NRX_DYN_RK4) s->h = d.step > 0 ? d.step : fabs(t_end - t0) / 1000.0;
    else if (d.step > 0) s->h = d.step;
    else st = nrxi_dyn_first_step(s, order[d.method]);
  }
  if (st != NRX_OK) {
    nrx_dyn_solver_free(s);
    return nrxi_fail(&d.env, st, "nrx_dyn_solver_create: the field cannot be evaluated at the initial state");
  }
  *out = s;
  return NRX_OK;
}

/* -- explicit steps: each tries one step of size h and returns the squared error norm -- */

typedef nrx_status (*nrxi_dyn_rhs)(void *user, double t, const double *y, double *dydt);

#if defined(__GNUC__) && !defined(__clang__) && !defined(__TINYC__) && __GNUC__ >= 8
#define NRXI_DYN_UNROLL _Pragma("GCC unroll 4")
#else
#define NRXI_DYN_UNROLL
#endif

/* Takes accepted steps of a 7-stage pair until `stop` is reached or `budget` steps are done; n may be a
   constant. What stands between two calls of f decides the speed for small systems: the coefficients are
   multiplied by h once, the newest stage is added last, pointers and step stay in registers, and the step
   after next is what an error estimate decides (the estimate of this step is only tested), so that no step
   waits for it. What remains is the latency of f and of passing its vectors through memory. */
NRXI_DYN_HOT nrx_status nrxi_dyn_rk7_body(nrx_dyn_solver *s, double stop, size_t budget, size_t n, int tsit,
    const double *atols, nrxi_dyn_rhs f)
{
  const nrxi_dyn_rk7 *tab = tsit ? &nrxi_dyn_rk7_tsit5 : &nrxi_dyn_rk7_dp5;
  const double *c = tab->c, *e = tab->e;
  double *k1 = s->k[1], *k2 = k1 + n, *k3 = k2 + n, *k4 = k3 + n, *k5 = k4 + n, *w = k1 - n, *sc = k5 + 2 * n;
  double *k0 = s->k[0], *k6 = s->k[6], *y = s->y, *yold = s->yold, *v = s->ynew, *swap, t = s->t,
      told = s->told, tend = s->tend;
  double rtol = s->d.rtol, atol = s->d.atol, a[21], h = s->dir * s->h, dir = s->dir,
      next = s->hlag > 0 ? dir * s->hlag : h, last = s->info.step, inv = 1.0 / (double)n;
  double hmax = s->d.max_step > 0 ? s->d.max_step : HUGE_VAL;
  size_t i, steps = 0, tried = 0;
  void *u = s->f.user;
  nrx_status st = NRX_OK;
  while (steps < budget && dir * (stop - t) > 0) {
    double hmin = 10.0 * DBL_EPSILON * nrxi_dyn_max(fabs(t), 1e-290), grow = 10.0, tn = t, sum, factor;
    if (fabs(h) < hmin) h = dir * hmin;
    if (fabs(h) > hmax) h = dir * hmax;
    for (;;) {
      if (fabs(h) < hmin) { st = NRX_E_RANGE; break; }
      tn = t + h;
      if (dir * (tn - tend) > 0) tn = tend;
      h = tn - t;
      tried++;
#if defined(NRXI_VEC) && __FLT_EVAL_METHOD__ == 0 /* with excess precision vector times scalar does not
            compile; a loop would cost a tenth of the step */
      *(nrxi_f64x4u *)a = *(const nrxi_f64x4u *)tab->a * h;
      *(nrxi_f64x4u *)(a + 4) = *(const nrxi_f64x4u *)(tab->a + 4) * h;
      *(nrxi_f64x4u *)(a + 8) = *(const nrxi_f64x4u *)(tab->a + 8) * h;
      *(nrxi_f64x4u *)(a + 12) = *(const nrxi_f64x4u *)(tab->a + 12) * h;
      *(nrxi_f64x4u *)(a + 16) = *(const nrxi_f64x4u *)(tab->a + 16) * h;
      a[20] = h * tab->a[20];
#else
      for (i = 0; i < 21; i++) a[i] = h * tab->a[i];
#endif
      NRXI_DYN_UNROLL
      for (i = 0; i < n; i++) w[i] = y[i] + a[0] * k0[i];
      if ((st = f(u, t + c[0] * h, w, k1)) != NRX_OK) goto failed;
      NRXI_DYN_UNROLL
      for (i = 0; i < n; i++) w[i] = y[i] + a[1] * k0[i] + a[2] * k1[i];
      if ((st = f(u, t + c[1] * h, w, k2)) != NRX_OK) goto failed;
      NRXI_DYN_UNROLL
      for (i = 0; i < n; i++) w[i] = y[i] + a[3] * k0[i] + a[4] * k1[i] + a[5] * k2[i];
      if ((st = f(u, t + c[2] * h, w, k3)) != NRX_OK) goto failed;
      NRXI_DYN_UNROLL
      for (i = 0; i < n; i++) w[i] = y[i] + a[6] * k0[i] + a[7] * k1[i] + a[8] * k2[i] + a[9] * k3[i];
      if ((st = f(u, t + c[3] * h, w, k4)) != NRX_OK) goto failed;
      NRXI_DYN_UNROLL
      for (i = 0; i < n; i++)
        w[i] = y[i] + a[10] * k0[i] + a[11] * k1[i] + a[12] * k2[i] + a[13] * k3[i] + a[14] * k4[i];
      if ((st = f(u, t + h, w, k5)) != NRX_OK) goto failed;
      NRXI_DYN_UNROLL
      for (i = 0; i < n; i++) {
        double z = y[i] + a[15] * k0[i], p = fabs(y[i]), q;
        if (tsit) z += a[16] * k1[i];
        z = z + a[17] * k2[i] + a[18] * k3[i] + a[19] * k4[i] + a[20] * k5[i];
        q = fabs(z);
        v[i] = z;
        sc[i] = h / ((atols ? atols[i] : atol) + rtol * (p > q ? p : q));
      }
      if ((st = f(u, tn, v, k6)) != NRX_OK) goto failed;
      sum = 0.0;
      NRXI_DYN_UNROLL
      for (i = 0; i < n; i++) {
        double r = e[0] * k0[i];
        if (tsit) r += e[1] * k1[i];
        r = (r + e[2] * k2[i] + e[3] * k3[i] + e[4] * k4[i] + e[5] * k5[i] + e[6] * k6[i]) * sc[i];
        sum += r * r;
      }
      sum *= inv;
      factor = 0.93 * nrxi_dyn_root(sum, 10);
      if (sum < 1.0) break;
      if (!nrxi_finite_f64(&sum)) factor = 0.2;
      if (0) {
      failed:
        if (st != NRX_E_NUMERIC) break;
        st = NRX_OK;
        factor = 0.2;
      }
      next = h *= factor < 0.2 ? 0.2 : factor;
      grow = 1.0;
      s->info.rejected++;
    }
    if (st != NRX_OK) break;
    last = h;
    h = next;
    next = last * (factor > grow ? grow : factor);
    swap = yold; yold = y; y = v; v = swap;
    swap = k0; k0 = k6; k6 = swap; /* k6 holds f at the start of the step until the next one */
    told = t;
    t = tn;
    steps++;
  }
  s->k[0] = k0; s->k[6] = k6;
  s->y = y; s->yold = yold; s->ynew = v;
  s->t = t; s->told = told; s->h = fabs(h); s->hlag = fabs(next);
  s->info.step = last; s->info.t = t;
  s->info.steps += steps;
  s->info.evaluations += 6 * tried;
  s->dense_ready = 0;
  return st;
}

/* Three equations of the default method are a case of their own, so is the field of NRX_DYN_INLINE_FIELD;
   everything else shares one. */
#if defined(NRX_DYN_INLINE_FIELD)
#define NRXI_DYN_RK7_INLINED(s, stop, budget) \
  (s)->d.method == NRX_DYN_DP5 && (s)->f.f == NRX_DYN_INLINE_FIELD && (s)->n == (NRX_DYN_INLINE_SIZE) \
      && !(s)->d.atols \
      ? nrxi_dyn_rk7_body(s, stop, budget, NRX_DYN_INLINE_SIZE, 0, NULL, NRX_DYN_INLINE_FIELD) :
#else
#define NRXI_DYN_RK7_INLINED(s, stop, budget)
#endif
#define NRXI_DYN_RK7_PICK(s, stop, budget) \
  (NRXI_DYN_RK7_INLINED(s, stop, budget) \
   (s)->d.method == NRX_DYN_DP5 && (s)->n == 3 && !(s)->d.atols \
       ? nrxi_dyn_rk7_body(s, stop, budget, 3, 0, NULL, (s)->f.f) \
       : nrxi_dyn_rk7_body(s, stop, budget, (s)->n, (s)->d.method == NRX_DYN_TSIT5, (s)->d.atols, (s)->f.f))
#if defined(NRXI_X86)
NRXI_AVX2 static nrx_status nrxi_dyn_rk7_avx2(nrx_dyn_solver *s, double stop, size_t budget) {
  return NRXI_DYN_RK7_PICK(s, stop, budget); }
#endif

static nrx_status nrxi_dyn_rk7_run(nrx_dyn_solver *s, double stop, size_t budget)
{
  nrx_status st;
#if defined(NRXI_X86)
  if (nrxi_cpu_avx2()) st = nrxi_dyn_rk7_avx2(s, stop, budget);
  else /* rare: no special cases */
    st = nrxi_dyn_rk7_body(s, stop, budget, s->n, s->d.method == NRX_DYN_TSIT5, s->d.atols, s->f.f);
#else
  st = NRXI_DYN_RK7_PICK(s, stop, budget);
#endif
  if (st == NRX_E_RANGE)
    return nrxi_fail(&s->d.env, NRX_E_NUMERIC, "nrx_dyn_solver_step: step size too small at t = %g", s->t);
  return st;
}

static nrx_status nrxi_dyn_dop853_try(nrx_dyn_solver *s, double h, double *err2)
{
  const double *a = nrxi_dyn_dop853_a, *b = nrxi_dyn_dop853_b, *c = nrxi_dyn_dop853_c,
      *g = nrxi_dyn_dop853_e3, *e = nrxi_dyn_dop853_e5;
  const double *y = s->y, *k0 = s->k[0], *k1 = s->k[1], *k2 = s->k[2], *k3 = s->k[3], *k4 = s->k[4],
      *k5 = s->k[5],
                 *k6 = s->k[6], *k7 = s->k[7], *k8 = s->k[8], *k9 = s->k[9], *k10 = s->k[10], *k11 = s->k[11];
  double *w = s->tmp, *v = s->ynew, t = s->t, e5 = 0.0, e3 = 0.0, den;
  size_t i, n = s->n;
  nrx_status (*f)(void *, double, const double *, double *) = s->f.f;
  void *u = s->f.user;
  nrx_status st;
  s->info.evaluations += 12;
  for (i = 0; i < n; i++) w[i] = y[i] + h * (a[0] * k0[i]);
  if ((st = f(u, t + c[1] * h, w, s->k[1])) != NRX_OK) return st;
  for (i = 0; i < n; i++) w[i] = y[i] + h * (a[1] * k0[i] + a[2] * k1[i]);
  if ((st = f(u, t + c[2] * h, w, s->k[2])) != NRX_OK) return st;
  for (i = 0; i < n; i++) w[i] = y[i] + h * (a[3] * k0[i] + a[4] * k2[i]);
  if ((st = f(u, t + c[3] * h, w, s->k[3])) != NRX_OK) return st;
  for (i = 0; i < n; i++) w[i] = y[i] + h * (a[5] * k0[i] + a[6] * k2[i] + a[7] * k3[i]);
  if ((st = f(u, t + c[4] * h, w, s->k[4])) != NRX_OK) return st;
  for (i = 0; i < n; i++) w[i] = y[i] + h * (a[8] * k0[i] + a[9] * k3[i] + a[10] * k4[i]);
  if ((st = f(u, t + c[5] * h, w, s->k[5])) != NRX_OK) return st;
  for (i = 0; i < n; i++) w[i] = y[i] + h
      * ((a[11] * k0[i] + a[12] * k3[i]) + (a[13] * k4[i] + a[14] * k5[i]));
  if ((st = f(u, t + c[6] * h, w, s->k[6])) != NRX_OK) return st;
  for (i = 0; i < n; i++)
    w[i] = y[i] + h * ((a[15] * k0[i] + a[16] * k3[i]) + (a[17] * k4[i] + a[18] * k5[i]) + a[19] * k6[i]);
  if ((st = f(u, t + c[7] * h, w, s->k[7])) != NRX_OK) return st;
  for (i = 0; i < n; i++)
    w[i] = y[i] + h * ((a[20] * k0[i] + a[21] * k3[i]) + (a[22] * k4[i] + a[23] * k5[i])
        + (a[24] * k6[i] + a[25] * k7[i]));
  if ((st = f(u, t + c[8] * h, w, s->k[8])) != NRX_OK) return st;
  for (i = 0; i < n; i++)
    w[i] = y[i] + h * ((a[26] * k0[i] + a[27] * k3[i]) + (a[28] * k4[i] + a[29] * k5[i]) + (a[30] * k6[i]
        + a[31] * k7[i]) + a[32] * k8[i]);
  if ((st = f(u, t + c[9] * h, w, s->k[9])) != NRX_OK) return st;
  for (i = 0; i < n; i++)
    w[i] = y[i] + h * ((a[33] * k0[i] + a[34] * k3[i]) + (a[35] * k4[i] + a[36] * k5[i]) + (a[37] * k6[i]
        + a[38] * k7[i]) + (a[39] * k8[i] + a[40] * k9[i]));
  if ((st = f(u, t + c[10] * h, w, s->k[10])) != NRX_OK) return st;
  for (i = 0; i < n; i++)
    w[i] = y[i] + h * ((a[41] * k0[i] + a[42] * k3[i]) + (a[43] * k4[i] + a[44] * k5[i]) + (a[45] * k6[i]
        + a[46] * k7[i]) + (a[47] * k8[i] + a[48] * k9[i]) + a[49] * k10[i]);
  if ((st = f(u, t + h, w, s->k[11])) != NRX_OK) return st;
  for (i = 0; i < n; i++) {
    double sc, p, q;
    v[i] = y[i] + h * ((b[0] * k0[i] + b[1] * k5[i]) + (b[2] * k6[i] + b[3] * k7[i]) + (b[4] * k8[i] + b[5]
        * k9[i]) + (b[6] * k10[i] + b[7] * k11[i]));
    sc = 1.0 / nrxi_dyn_tol(s, i, y[i], v[i]);
    p = ((e[0] * k0[i] + e[1] * k5[i]) + (e[2] * k6[i] + e[3] * k7[i]) + (e[4] * k8[i] + e[5] * k9[i])
             + (e[6] * k10[i] + e[7] * k11[i])) * sc;
    q = ((g[0] * k0[i] + g[1] * k5[i]) + (g[2] * k6[i] + g[3] * k7[i]) + (g[4] * k8[i] + g[5] * k9[i])
             + (g[6] * k10[i] + g[7] * k11[i])) * sc;
    e5 += p * p;
    e3 += q * q;
  }
  den = (e5 + 0.01 * e3) * (double)n;
  *err2 = den > 0 ? h * h * e5 * e5 / den : e5 + e3;
  if (!nrxi_finite_f64(err2)) return NRX_OK;
  if (*err2 < 1.0) return f(u, t + h, v, s->k[12]);
  return NRX_OK;
}

static nrx_status nrxi_dyn_rk4_step(nrx_dyn_solver *s, double h)
{
  const double *y = s->y;
  double *k0 = s->k[0], *k1 = s->k[1], *k2 = s->k[2], *k3 = s->k[3], *w = s->tmp, t = s->t, q = h / 6.0,
      g = 0.5 * h;
  size_t i, n = s->n;
  nrx_status (*f)(void *, double, const double *, double *) = s->f.f;
  void *u = s->f.user;
  nrx_status st;
  s->info.evaluations += 4;
  if (!s->fsal && (st = f(u, t, y, k0)) != NRX_OK) return st;
  s->fsal = 0;
  for (i = 0; i < n; i++) w[i] = y[i] + g * k0[i];
  if ((st = f(u, t + g, w, k1)) != NRX_OK) return st;
  for (i = 0; i < n; i++) w[i] = y[i] + g * k1[i];
  if ((st = f(u, t + g, w, k2)) != NRX_OK) return st;
  for (i = 0; i < n; i++) w[i] = y[i] + h * k2[i];
  if ((st = f(u, t + h, w, k3)) != NRX_OK) return st;
  for (i = 0; i < n; i++) s->ynew[i] = y[i] + q * (k0[i] + 2.0 * (k1[i] + k2[i]) + k3[i]);
  return NRX_OK;
}

/* -- Radau IIA -- */

/* LU of an n x n complex matrix [n][n][2] with row pivoting; returns 0 when singular. */
static int nrxi_dyn_clu(size_t n, double *a, size_t *piv)
{
  size_t i, j, k;
  for (k = 0; k < n; k++) {
    size_t p = k;
    double best = -1.0, dr, di, den;
    for (i = k; i < n; i++) {
      double m = fabs(a[2 * (i * n + k)]) + fabs(a[2 * (i * n + k) + 1]);
      if (m > best) { best = m; p = i; }
    }
    if (!(best > 0.0)) return 0;
    piv[k] = p;
    if (p != k)
      for (j = 0; j < 2 * n; j++) {
        double x = a[2 * k * n + j];
        a[2 * k * n + j] = a[2 * p * n + j];
        a[2 * p * n + j] = x;
      }
    dr = a[2 * (k * n + k)];
    di = a[2 * (k * n + k) + 1];
    den = 1.0 / (dr * dr + di * di);
    for (i = k + 1; i < n; i++) {
      double *r = a + 2 * i * n, *q = a + 2 * k * n, lr = r[2 * k], li = r[2 * k + 1];
      double mr = (lr * dr + li * di) * den, mi = (li * dr - lr * di) * den;
      r[2 * k] = mr;
      r[2 * k + 1] = mi;
      if (mr == 0.0 && mi == 0.0) continue;
      for (j = k + 1; j < n; j++) {
        r[2 * j] -= mr * q[2 * j] - mi * q[2 * j + 1];
        r[2 * j + 1] -= mr * q[2 * j + 1] + mi * q[2 * j];
      }
    }
  }
  return 1;
}

static void nrxi_dyn_clu_solve(size_t n, const double *a, const size_t *piv, double *b)
{
  size_t i, j;
  for (i = 0; i < n; i++) {
    size_t p = piv[i];
    double x = b[2 * i], y = b[2 * i + 1];
    b[2 * i] = b[2 * p];
    b[2 * i + 1] = b[2 * p + 1];
    b[2 * p] = x;
    b[2 * p + 1] = y;
  }
  for (i = 0; i < n; i++)
    for (j = 0; j < i; j++) {
      const double *l = a + 2 * (i * n + j);
      b[2 * i] -= l[0] * b[2 * j] - l[1] * b[2 * j + 1];
      b[2 * i + 1] -= l[0] * b[2 * j + 1] + l[1] * b[2 * j];
    }
  for (i = n; i-- > 0;) {
    const double *d = a + 2 * (i * n + i);
    double x, y, den = 1.0 / (d[0] * d[0] + d[1] * d[1]);
    for (j = i + 1; j < n; j++) {
      const double *l = a + 2 * (i * n + j);
      b[2 * i] -= l[0] * b[2 * j] - l[1] * b[2 * j + 1];
      b[2 * i + 1] -= l[0] * b[2 * j + 1] + l[1] * b[2 * j];
    }
    x = b[2 * i];
    y = b[2 * i + 1];
    b[2 * i] = (x * d[0] + y * d[1]) * den;
    b[2 * i + 1] = (y * d[0] - x * d[1]) * den;
  }
}

/* Jacobian [n][n] by the field, else by forward differences; w is n scratch, f0 = f(t, y). */
static nrx_status nrxi_dyn_jacobian(const nrx_vfield *f, double t, const double *y, const double *f0,
    double *w, double *fw, double *J)
{
  size_t i, j, n = f->n;
  if (f->jac) {
    nrx_status st = f->jac(f->user, t, y, J);
    if (st == NRX_OK && !nrxi_all_finite(J, n * n, NRX_F64)) st = NRX_E_NUMERIC;
    return st;
  }
  memcpy(w, y, n * sizeof(double));
  for (j = 0; j < n; j++) {
    double h = 1.4901161193847656e-8 * nrxi_dyn_max(fabs(y[j]), 1e-5), back;
    nrx_status st;
    w[j] = y[j] + h;
    back = w[j] - y[j];
    st = f->f(f->user, t, w, fw);
    if (st != NRX_OK) return st;
    for (i = 0; i < n; i++) J[i * n + j] = (fw[i] - f0[i]) / back;
    w[j] = y[j];
  }
  return nrxi_all_finite(J, n * n, NRX_F64) ? NRX_OK : NRX_E_NUMERIC;
}

static nrx_status nrxi_dyn_radau_factor(nrx_dyn_solver *s, double h)
{
  size_t i, n = s->n;
  for (i = 0; i < n * n; i++) {
    s->lu_r[i] = -s->J[i];
    s->lu_c[2 * i] = -s->J[i];
    s->lu_c[2 * i + 1] = 0.0;
  }
  for (i = 0; i < n; i++) {
    s->lu_r[i * n + i] += nrxi_dyn_radau_mu / h;
    s->lu_c[2 * (i * n + i)] += nrxi_dyn_radau_mur / h;
    s->lu_c[2 * (i * n + i) + 1] += nrxi_dyn_radau_mui / h;
  }
  s->info.factorizations++;
  s->have_lu = 1;
  s->hlu = h;
  if (nrxi_dyn_lu(n, s->lu_r, s->piv_r) != NRX_OK || !nrxi_dyn_clu(n, s->lu_c, s->piv_c))
    return NRX_E_NUMERIC;
  return NRX_OK;
}

/* Simplified Newton for the three stages; *iter and *rate are results, 1 is returned on convergence. */
static int nrxi_dyn_radau_newton(nrx_dyn_solver *s, double h, double tol, int *iter, double *rate,
    nrx_status *st)
{
  size_t i, n = s->n;
  double *Z = s->Z, *W = s->W, *F = s->F, *re = s->rhs, *co = s->rhs + n, old = -1.0;
  int k, m;
  *rate = -1.0;
  for (m = 0; m < 3; m++)
    for (i = 0; i < n; i++)
      W[(size_t)m * n + i] = nrxi_dyn_radau_ti[m][0] * Z[i] + nrxi_dyn_radau_ti[m][1] * Z[n + i]
          + nrxi_dyn_radau_ti[m][2] * Z[2 * n + i];
  for (k = 0; k < 6; k++) {
    double norm = 0.0;
    *iter = k + 1;
    for (m = 0; m < 3; m++) {
      for (i = 0; i < n; i++) s->tmp[i] = s->y[i] + Z[(size_t)m * n + i];
      *st = nrxi_dyn_eval(s, s->t + nrxi_dyn_radau_c[m] * h, s->tmp, F + (size_t)m * n);
      if (*st != NRX_OK) return 0;
    }
    if (!nrxi_all_finite(F, 3 * n, NRX_F64)) return 0;
    for (i = 0; i < n; i++) {
      double a = F[i], b = F[n + i], c = F[2 * n + i], w1 = W[n + i], w2 = W[2 * n + i];
      const double (*ti)[3] = nrxi_dyn_radau_ti;
      re[i] = ti[0][0] * a + ti[0][1] * b + ti[0][2] * c - nrxi_dyn_radau_mu / h * W[i];
      co[2 * i] = ti[1][0] * a + ti[1][1] * b + ti[1][2] * c
          - (nrxi_dyn_radau_mur * w1 - nrxi_dyn_radau_mui * w2) / h;
      co[2 * i + 1] = ti[2][0] * a + ti[2][1] * b + ti[2][2] * c
          - (nrxi_dyn_radau_mur * w2 + nrxi_dyn_radau_mui * w1) / h;
    }
    nrxi_dyn_lu_solve(n, s->lu_r, s->piv_r, re);
    nrxi_dyn_clu_solve(n, s->lu_c, s->piv_c, co);
    for (i = 0; i < n; i++) {
      double sc = nrxi_dyn_tol(s, i, s->y[i], 0.0), a = re[i] / sc, b = co[2 * i] / sc,
          c = co[2 * i + 1] / sc;
      norm += a * a + b * b + c * c;
    }
    norm = sqrt(norm / (3.0 * (double)n));
    if (!nrxi_finite_f64(&norm)) return 0;
    if (old > 0) {
      *rate = norm / old;
      if (*rate >= 1.0 || pow(*rate, 6 - k) / (1.0 - *rate) * norm > tol) return 0;
    }
    for (i = 0; i < n; i++) {
      W[i] += re[i];
      W[n + i] += co[2 * i];
      W[2 * n + i] += co[2 * i + 1];
    }
    for (m = 0; m < 3; m++)
      for (i = 0; i < n; i++)
        Z[(size_t)m * n + i] = nrxi_dyn_radau_t[m][0] * W[i] + nrxi_dyn_radau_t[m][1] * W[n + i]
            + nrxi_dyn_radau_t[m][2] * W[2 * n + i];
    if (norm == 0.0 || (*rate > 0 && *rate / (1.0 - *rate) * norm < tol)) return 1;
    old = norm;
  }
  return 0;
}

static double nrxi_dyn_radau_predict(const nrx_dyn_solver *s, double h, double err)
{
  double mult = 1.0;
  if (s->errold > 0 && s->hold > 0 && err > 0) mult = h / s->hold * pow(s->errold / err, 0.25);
  return nrxi_dyn_min(1.0, mult) * pow(nrxi_dyn_max(err, 1e-10), -0.25);
}

static double nrxi_dyn_radau_error(nrx_dyn_solver *s, const double *ze, const double *f0, double *err)
{
  size_t i, n = s->n;
  double sum = 0.0;
  for (i = 0; i < n; i++) err[i] = f0[i] + ze[i];
  nrxi_dyn_lu_solve(n, s->lu_r, s->piv_r, err);
  for (i = 0; i < n; i++) {
    double r = err[i] / nrxi_dyn_tol(s, i, s->y[i], s->ynew[i]);
    sum += r * r;
  }
  return sqrt(sum / (double)n);
}

/* The dense polynomial of the last step in s->dense [3][n], at fraction x of it, relative to yold. */
static void nrxi_dyn_radau_dense(const nrx_dyn_solver *s, double x, double *y)
{
  size_t i, n = s->n;
  for (i = 0; i < n; i++)
    y[i] = s->yold[i] + x * (s->dense[i] + x * (s->dense[n + i] + x * s->dense[2 * n + i]));
}

static nrx_status nrxi_dyn_radau_step(nrx_dyn_solver *s, double hmin)
{
  size_t i, n = s->n;
  double newton_tol, rate = 0, err = 0, h, factor, *ze = s->rhs + 3 * n, *ev = s->rhs + 4 * n;
  int iter = 0, m, rejected = 0, converged;
  nrx_status st = NRX_OK;
  newton_tol = s->d.rtol > 0 ? nrxi_dyn_max(10.0 * DBL_EPSILON / s->d.rtol,
      nrxi_dyn_min(0.03, sqrt(s->d.rtol))) : 0.03;
  if (!s->current_jac && !s->info.jacobians) {
    st = nrxi_dyn_jacobian(&s->f, s->t, s->y, s->k[0], s->tmp, s->ynew, s->J);
    if (st != NRX_OK) return st;
    s->info.jacobians++;
    s->current_jac = 1;
  }
  for (;;) {
    double tnew;
    if (s->h < hmin) return NRX_E_NUMERIC;
    tnew = s->t + s->dir * s->h;
    if (s->dir * (tnew - s->tend) > 0) tnew = s->tend;
    h = tnew - s->t;
    s->h = fabs(h);
    if (s->have_lu && h != s->hlu) s->have_lu = 0;
    if (s->have_sol && s->t != s->told) {
      for (m = 0; m < 3; m++) {
        nrxi_dyn_radau_dense(s, (s->t + nrxi_dyn_radau_c[m] * h - s->told) / (s->t - s->told),
            s->Z + (size_t)m * n);
        for (i = 0; i < n; i++) s->Z[(size_t)m * n + i] -= s->y[i];
      }
    } else memset(s->Z, 0, 3 * n * sizeof(double));
    for (;;) {
      converged = 0;
      if (!s->have_lu && (st = nrxi_dyn_radau_factor(s, h)) != NRX_OK) break;
      converged = nrxi_dyn_radau_newton(s, h, newton_tol, &iter, &rate, &st);
      if (st != NRX_OK && st != NRX_E_NUMERIC) return st;
      if (converged || s->current_jac) break;
      if ((st = nrxi_dyn_jacobian(&s->f, s->t, s->y, s->k[0], s->tmp, s->ynew, s->J)) != NRX_OK) return st;
      s->info.jacobians++;
      s->current_jac = 1;
      s->have_lu = 0;
    }
    if (!converged) {
      s->h *= 0.5;
      s->have_lu = 0;
      s->info.rejected++;
      continue;
    }
    for (i = 0; i < n; i++) {
      s->ynew[i] = s->y[i] + s->Z[2 * n + i];
      ze[i] = (s->Z[i] * nrxi_dyn_radau_e[0] + s->Z[n + i] * nrxi_dyn_radau_e[1] + s->Z[2 * n + i]
          * nrxi_dyn_radau_e[2]) / h;
    }
    err = nrxi_dyn_radau_error(s, ze, s->k[0], ev);
    if (rejected && err > 1.0) {
      for (i = 0; i < n; i++) s->tmp[i] = s->y[i] + ev[i];
      st = nrxi_dyn_eval(s, s->t, s->tmp, s->F);
      if (st != NRX_OK && st != NRX_E_NUMERIC) return st;
      if (st == NRX_OK) err = nrxi_dyn_radau_error(s, ze, s->F, ev);
    }
    factor = 0.9 * 13.0 / (12.0 + iter);
    if (!nrxi_finite_f64(&err)) { s->h *= 0.2; s->have_lu = 0; rejected = 1; s->info.rejected++; continue; }
    if (err <= 1.0) break;
    s->h *= nrxi_dyn_max(0.2, factor * nrxi_dyn_radau_predict(s, s->h, err));
    s->have_lu = 0;
    rejected = 1;
    s->info.rejected++;
  }
  {
    int renew = iter > 2 && rate > 1e-3;
    double grow = nrxi_dyn_min(10.0, factor * nrxi_dyn_radau_predict(s, s->h, err));
    if (!renew && grow < 1.2) grow = 1.0;
    else s->have_lu = 0;
    st = nrxi_dyn_eval(s, s->t + h, s->ynew, s->k[0]);
    if (st != NRX_OK) return st;
    for (m = 0; m < 3; m++)
      for (i = 0; i < n; i++)
        s->dense[(size_t)m * n + i] = s->Z[i] * nrxi_dyn_radau_p[0][m] + s->Z[n + i] * nrxi_dyn_radau_p[1][m]
                      + s->Z[2 * n + i] * nrxi_dyn_radau_p[2][m];
    s->have_sol = 1;
    s->current_jac = 0;
    s->hold = s->h;
    s->errold = err;
    if (renew) {
      st = nrxi_dyn_jacobian(&s->f, s->t + h, s->ynew, s->k[0], s->tmp, s->Z, s->J);
      if (st != NRX_OK) return st;
      s->info.jacobians++;
      s->current_jac = 1;
    }
    s->info.step = h;
    s->h *= grow;
  }
  return NRX_OK;
}

/* -- one accepted step of any method -- */

static void nrxi_dyn_accept(nrx_dyn_solver *s, double tnew)
{
  double *swap = s->yold;
  s->yold = s->y;
  s->y = s->ynew;
  s->ynew = swap;
  s->told = s->t;
  s->t = tnew;
  s->dense_ready = 0;
  s->info.steps++;
  s->info.t = tnew;
}

NRX_DEF nrx_status nrx_dyn_solver_step(nrx_dyn_solver *s)
{
  double hmin, err2 = 0, tnew, h = 0;
  int rejected = 0;
  nrx_status st;
  if (!s) return NRX_E_ARG;
  if (s->dir * (s->tend - s->t) <= 0) return NRX_OK;
  hmin = 10.0 * DBL_EPSILON * nrxi_dyn_max(fabs(s->t), 1e-290);
  if (s->d.max_step > 0 && s->h > s->d.max_step) s->h = s->d.max_step;
  if (s->d.method == NRX_DYN_RK4) {
    tnew = s->tseg + s->dir * (double)(s->iseg + 1) * s->h;
    if (s->dir * (s->tend - tnew) <= 1e-9 * s->h) tnew = s->tend;
    st = nrxi_dyn_rk4_step(s, tnew - s->t);
    if (st == NRX_OK && !nrxi_all_finite(s->ynew, s->n, NRX_F64)) st = NRX_E_NUMERIC;
    if (st != NRX_OK) return nrxi_fail(&s->d.env, st, "nrx_dyn_solver_step: RK4 broke down at t = %g", s->t);
    s->iseg++;
    s->info.step = tnew - s->t;
    nrxi_dyn_accept(s, tnew);
    return NRX_OK;
  }
  if (s->h < hmin) s->h = hmin;
  if (s->d.method == NRX_DYN_RADAU5) {
    st = nrxi_dyn_radau_step(s, hmin);
    if (st != NRX_OK) return nrxi_fail(&s->d.env, st, "nrx_dyn_solver_step: step size too small at t = %g",
        s->t);
    tnew = s->t + s->info.step;
    if (fabs(tnew - s->tend) <= hmin) tnew = s->tend;
    nrxi_dyn_accept(s, tnew);
    return NRX_OK;
  }
  if (s->d.method != NRX_DYN_DOP853) return nrxi_dyn_rk7_run(s, s->tend, 1);
  for (;;) {
    double factor;
    if (s->h < hmin)
      return nrxi_fail(&s->d.env, NRX_E_NUMERIC, "nrx_dyn_solver_step: step size too small at t = %g", s->t);
    tnew = s->t + s->dir * s->h;
    if (s->dir * (tnew - s->tend) > 0) tnew = s->tend;
    h = tnew - s->t;
    s->h = fabs(h);
    st = nrxi_dyn_dop853_try(s, h, &err2);
    if (st != NRX_OK && st != NRX_E_NUMERIC) return st;
    if (st != NRX_OK || !nrxi_finite_f64(&err2)) factor = 0.2;
    else {
      factor = 0.9 * nrxi_dyn_root(err2, 16);
      if (err2 < 1.0) {
        s->info.step = h;
        if (factor > 10.0) factor = 10.0;
        if (rejected && factor > 1.0) factor = 1.0;
        s->h *= factor;
        break;
      }
    }
    s->h *= factor < 0.2 ? 0.2 : factor;
    rejected = 1;
    s->info.rejected++;
  }
  {
    double *swap = s->k[0];
    s->k[0] = s->k[12];
    s->k[12] = swap; /* holds f at the start of the step until the next one */
  }
  nrxi_dyn_accept(s, tnew);
  return NRX_OK;
}

/* -- dense output -- */

static nrx_status nrxi_dyn_dop853_prepare(nrx_dyn_solver *s)
{
  const double *a = nrxi_dyn_dop853_ax, *c = nrxi_dyn_dop853_c, *d = nrxi_dyn_dop853_d;
  const double *y = s->yold, *k0 = s->k[12], *k12 = s->k[0];
  double h = s->t - s->told, **k = s->k, *w = s->tmp, *D = s->dense;
  size_t i, n = s->n, m;
  nrx_status st;
  for (i = 0; i < n; i++)
    w[i] = y[i] + h * (a[0] * k0[i] + a[1] * k[6][i] + a[2] * k[7][i] + a[3] * k[8][i] + a[4] * k[9][i] + a[5]
        * k[10][i] + a[6] * k[11][i] + a[7] * k12[i]);
  if ((st = nrxi_dyn_eval(s, s->told + c[13] * h, w, k[13])) != NRX_OK) return st;
  for (i = 0; i < n; i++)
    w[i] = y[i] + h * (a[8] * k0[i] + a[9] * k[5][i] + a[10] * k[6][i] + a[11] * k[7][i] + a[12] * k[10][i]
            + a[13] * k[11][i] + a[14] * k12[i] + a[15] * k[13][i]);
  if ((st = nrxi_dyn_eval(s, s->told + c[14] * h, w, k[14])) != NRX_OK) return st;
  for (i = 0; i < n; i++)
    w[i] = y[i] + h * (a[16] * k0[i] + a[17] * k[5][i] + a[18] * k[6][i] + a[19] * k[7][i] + a[20] * k[8][i]
            + a[21] * k12[i] + a[22] * k[13][i] + a[23] * k[14][i]);
  if ((st = nrxi_dyn_eval(s, s->told + c[15] * h, w, k[15])) != NRX_OK) return st;
  for (i = 0; i < n; i++) {
    double dy = s->y[i] - y[i];
    D[i] = dy;
    D[n + i] = h * k0[i] - dy;
    D[2 * n + i] = 2.0 * dy - h * (k12[i] + k0[i]);
    for (m = 0; m < 4; m++) {
      const double *r = d + 12 * m;
      D[(3 + m) * n + i] = h * (r[0] * k0[i] + r[1] * k[5][i] + r[2] * k[6][i] + r[3] * k[7][i] + r[4]
          * k[8][i] + r[5] * k[9][i] + r[6] * k[10][i] + r[7] * k[11][i] + r[8] * k12[i] + r[9] * k[13][i]
          + r[10] * k[14][i] + r[11] * k[15][i]);
    }
  }
  return NRX_OK;
}

/* Makes s->dense valid for the last step. */
static nrx_status nrxi_dyn_prepare_dense(nrx_dyn_solver *s)
{
  size_t i, n = s->n;
  double h = s->t - s->told, *D = s->dense;
  nrx_status st = NRX_OK;
  if (s->dense_ready || s->t == s->told) return NRX_OK;
  switch (s->d.method) {
  case NRX_DYN_DOP853: st = nrxi_dyn_dop853_prepare(s); break;
  case NRX_DYN_DP5:
    for (i = 0; i < n; i++) {
      const double *e = nrxi_dyn_dp5_dense, **k = (const double **)(void *)s->k;
      double dy = s->y[i] - s->yold[i], b = h * k[6][i] - dy;
      D[i] = dy;
      D[n + i] = b;
      D[2 * n + i] = dy - h * k[0][i] - b;
      D[3 * n + i] = h * (e[0] * k[6][i] + e[2] * k[2][i] + e[3] * k[3][i] + e[4] * k[4][i] + e[5] * k[5][i]
          + e[6] * k[0][i]);
    }
    break;
  case NRX_DYN_TSIT5:
    for (i = 0; i < n; i++) {
      int m, j;
      for (m = 0; m < 4; m++) {
        double v = nrxi_dyn_tsit5_dense[0][m] * s->k[6][i] + nrxi_dyn_tsit5_dense[6][m] * s->k[0][i];
        for (j = 1; j < 6; j++) v += nrxi_dyn_tsit5_dense[j][m] * s->k[j][i];
        D[(size_t)m * n + i] = h * v;
      }
    }
    break;
  case NRX_DYN_RK4: /* cubic Hermite: needs f at the new point, which the next step reuses */
    memcpy(D, s->k[0], n * sizeof(double));
    st = nrxi_dyn_eval(s, s->t, s->y, s->k[0]);
    s->info.evaluations--;
    s->fsal = 1;
    break;
  default: break;
  }
  s->dense_ready = st == NRX_OK;
  return st;
}

static nrx_status nrxi_dyn_dense_at(nrx_dyn_solver *s, double t, double *y)
{
  size_t i, n = s->n;
  const double *D = s->dense;
  double h = s->t - s->told, x, z;
  nrx_status st;
  if (h == 0.0 || t == s->t) { memcpy(y, s->y, n * sizeof(double)); return NRX_OK; }
  st = nrxi_dyn_prepare_dense(s);
  if (st != NRX_OK) return st;
  x = (t - s->told) / h;
  z = 1.0 - x;
  switch (s->d.method) {
  case NRX_DYN_DP5:
    for (i = 0; i < n; i++)
      y[i] = s->yold[i] + x * (D[i] + z * (D[n + i] + x * (D[2 * n + i] + z * D[3 * n + i])));
    break;
  case NRX_DYN_TSIT5:
    for (i = 0; i < n; i++)
      y[i] = s->yold[i] + x * (D[i] + x * (D[n + i] + x * (D[2 * n + i] + x * D[3 * n + i])));
    break;
  case NRX_DYN_DOP853:
    for (i = 0; i < n; i++)
      y[i] = s->yold[i] + x * (D[i] + z * (D[n + i] + x * (D[2 * n + i] + z * (D[3 * n + i] + x * (D[4 * n
          + i] + z * (D[5 * n + i] + x * D[6 * n + i]))))));
    break;
  case NRX_DYN_RADAU5: nrxi_dyn_radau_dense(s, x, y); break;
  default:
    for (i = 0; i < n; i++)
      y[i] = s->yold[i] * z * z * (1 + 2 * x) + s->y[i] * x * x * (3 - 2 * x) + h * x * z
          * (z * D[i] - x * s->k[0][i]);
    break;
  }
  return NRX_OK;
}

NRX_DEF nrx_status nrx_dyn_solver_at(nrx_dyn_solver *s, double t, double *y)
{
  if (!s || !y || s->dir * (t - s->t) > 0 || s->dir * (t - s->told) < 0)
    return nrxi_fail(s ? &s->d.env : NULL, NRX_E_ARG, "nrx_dyn_solver_at: time %g is outside the last step",
        t);
  return nrxi_dyn_dense_at(s, t, y);
}

/* -- events -- */

/* Zero of event e between the ends of the last step, whose values are ga and gb: Illinois steps, then
 * bisection. */
static nrx_status nrxi_dyn_event_root(nrx_dyn_solver *s, const nrx_dyn_event *e, double ga, double gb,
    double *w, double *root)
{
  double a = s->told, b = s->t, tiny = 4.0 * DBL_EPSILON * nrxi_dyn_max(fabs(a), fabs(b)) + 1e-15
      * fabs(b - a);
  int it;
  for (it = 0; it < 120 && fabs(b - a) > tiny; it++) {
    double c = it % 3 == 2 ? 0.5 * (a + b) : (a * gb - b * ga) / (gb - ga), gc;
    nrx_status st;
    if (!((c > a && c < b) || (c < a && c > b))) c = 0.5 * (a + b);
    st = nrxi_dyn_dense_at(s, c, w);
    if (st != NRX_OK) return st;
    gc = e->g(e->user, c, w);
    if (gc == 0.0) { a = b = c; break; }
    if ((gc > 0) == (gb > 0)) { b = c; gb = gc; ga *= it % 3 == 1 ? 0.5 : 1.0; }
    else { a = c; ga = gc; gb *= it % 3 == 1 ? 0.5 : 1.0; }
  }
  *root = b;
  return nrxi_dyn_dense_at(s, b, w);
}

/* Looks at all events after a step; *stop is the earliest terminal time (when `stopped`). g [n_events] holds
 * the last values. */
static nrx_status nrxi_dyn_events(nrx_dyn_solver *s, double *g, double *w, int *stopped, double *stop)
{
  size_t j, n = s->n;
  *stopped = 0;
  for (j = 0; j < s->d.n_events; j++) {
    nrx_dyn_event *e = &s->d.events[j];
    double now = e->g(e->user, s->t, s->y), was = g[j], root;
    nrx_status st;
    g[j] = now;
    if (was == 0.0 || (was > 0) == (now > 0)) continue;
    if ((e->direction > 0 && now < was) || (e->direction < 0 && now > was)) continue;
    st = nrxi_dyn_event_root(s, e, was, now, w, &root);
    if (st != NRX_OK) return st;
    if (e->count < e->capacity) {
      if (e->times) e->times[e->count] = root;
      if (e->states) memcpy(e->states + e->count * n, w, n * sizeof(double));
    }
    e->count++;
    if (e->terminal && e->count >= e->terminal && (!*stopped || s->dir * (*stop - root) > 0)) {
      *stopped = 1;
      *stop = root;
    }
  }
  return NRX_OK;
}

NRX_DEF nrx_status nrx_dyn_solve(const nrx_vfield *f, const double *y0, size_t nt, const double *t, double *y,
            const nrx_dyn_solve_desc *desc, nrx_dyn_solve_info *info)
{
  nrx_dyn_solve_desc d = NRX_ZERO;
  nrx_dyn_solver *s = NULL;
  double *g = NULL, *w = NULL, stop = 0;
  size_t i, n, row = 1;
  size_t shown = 0;
  int stopped = 0;
  nrx_status st;
  if (info) memset(info, 0, sizeof *info);
  if (desc) d = *desc;
  if (!nrxi_dyn_check_desc(f, y0, &d, "nrx_dyn_solve", &st)) return st;
  n = f->n;
  if (nt == 0 || !t || !y) return nrxi_fail(&d.env, NRX_E_ARG,
      "nrx_dyn_solve: needs output times and an array for the states");
  for (i = 0; i < nt; i++)
    if (!nrxi_finite_f64(&t[i]) || (i > 1 && (t[i] > t[i - 1]) != (t[1] > t[0]))
        || (i > 0 && t[i] == t[i - 1]))
      return nrxi_fail(&d.env, NRX_E_ARG, "nrx_dyn_solve: t[%zu] breaks the strictly monotonic order", i);
  memcpy(y, y0, n * sizeof(double));
  if (info) { info->rows = 1; info->t = t[0]; }
  if (nt == 1) return NRX_OK;
  if (d.method == NRX_DYN_RK4 && d.step == 0) d.step = fabs(t[nt - 1] - t[0]) / 1000.0;
  st = nrx_dyn_solver_create(f, t[0], y0, t[nt - 1], &d, &s);
  if (st != NRX_OK) return st;
  if (d.n_events && d.events) {
    g = (double *)nrxi_alloc(&d.env, d.n_events, sizeof(double));
    w = (double *)nrxi_alloc(&d.env, n, sizeof(double));
    if (!g || !w) { st = nrxi_dyn_oom(&d.env, "nrx_dyn_solve"); goto done; }
    for (i = 0; i < d.n_events; i++) {
      d.events[i].count = 0;
      g[i] = d.events[i].g(d.events[i].user, t[0], y0);
    }
  } else s->d.n_events = 0;
  while (row < nt) {
    if (d.method == NRX_DYN_RK4 && s->t == t[row - 1]) { /* a fresh run of equal steps to the next output */
      double span = fabs(t[row] - t[row - 1]), parts = ceil(span / d.step - 1e-9);
      s->tend = t[row];
      s->tseg = s->t;
      s->iseg = 0;
      s->h = span / (parts < 1 ? 1 : parts);
    }
    if (s->info.steps >= s->d.max_steps) { s->info.stop = NRX_DYN_STOP_STEPS; break; }
    if (!s->d.n_events && d.method <= NRX_DYN_TSIT5) { /* many steps at once, up to the next output */
      size_t left = s->d.max_steps - s->info.steps;
      st = nrxi_dyn_rk7_run(s, t[row], left < 65536 ? left : 65536);
    } else st = nrx_dyn_solver_step(s);
    if (st != NRX_OK) break;
    if (s->d.n_events) {
      st = nrxi_dyn_events(s, g, w, &stopped, &stop);
      if (st != NRX_OK) break;
    }
    for (; row < nt && s->dir * (s->t - t[row]) >= 0; row++) {
      if (stopped && s->dir * (t[row] - stop) > 0) break;
      st = nrxi_dyn_dense_at(s, t[row], y + row * n);
      if (st != NRX_OK) break;
    }
    if (st != NRX_OK) break;
    if (stopped) { s->info.stop = NRX_DYN_STOP_EVENT; s->info.t = stop; break; }
    if (d.env.progress && (row != shown || s->info.steps % 1024 == 0)
      && nrxi_progress(&d.env, shown = row, nt, s->t)) { s->info.stop = NRX_DYN_STOP_CANCELLED; break; }
  }
  s->info.rows = row;
  if (info) *info = s->info;
done:
  nrxi_free(&d.env, g);
  nrxi_free(&d.env, w);
  nrx_dyn_solver_free(s);
  return st;
}

/* -- maps -- */

NRX_DEF nrx_status nrx_dyn_iterate(const nrx_vfield *map, const double *y0, size_t skip, size_t count,
    double *y)
{
  double *a, *b, *swap;
  size_t i, n;
  nrx_status st = NRX_OK;
  if (!map || !map->f || map->n == 0 || !y0 || (count && !y))
    return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_iterate: needs a map, an initial state and an array");
  n = map->n;
  a = (double *)nrxi_alloc(NULL, n, 2 * sizeof(double));
  if (!a) return nrxi_dyn_oom(NULL, "nrx_dyn_iterate");
  b = a + n;
  swap = a;
  memcpy(a, y0, n * sizeof(double));
  for (i = 0; i < skip + count && st == NRX_OK; i++) {
    double *c;
    st = map->f(map->user, (double)i, a, b);
    if (st == NRX_OK && !nrxi_all_finite(b, n, NRX_F64)) st = NRX_E_NUMERIC;
    if (st != NRX_OK) { st = nrxi_fail(NULL, st, "nrx_dyn_iterate: the orbit broke down at iteration %zu", i);
      break; }
    if (i >= skip) memcpy(y + (i - skip) * n, b, n * sizeof(double));
    c = a;
    a = b;
    b = c;
  }
  nrxi_free(NULL, swap);
  return st;
}

/* -- stochastic equations -- */

NRX_DEF nrx_status nrx_dyn_solve_sde(const nrx_vfield *f, const nrx_dyn_noise *noise, int method,
    uint64_t seed, const double *y0, size_t nt, const double *t, size_t substeps, double *y)
{
  double *w;
  size_t i, j, k, n;
  nrx_rng rng;
  nrx_status st = NRX_OK;
  if (!f || !f->f || f->n == 0 || !noise || !noise->g || !y0 || !t || !y || nt == 0 || substeps == 0
    || method < NRX_DYN_EULER_MARUYAMA || method > NRX_DYN_MILSTEIN)
    return nrxi_fail(NULL, NRX_E_ARG,
        "nrx_dyn_solve_sde: needs a field, noise, times, an array and substeps > 0");
  for (i = 1; i < nt; i++)
    if (!(t[i] > t[i - 1])) return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_solve_sde: t[%zu] does not increase",
        i);
  n = f->n;
  w = (double *)nrxi_alloc(NULL, n, 5 * sizeof(double));
  if (!w) return nrxi_dyn_oom(NULL, "nrx_dyn_solve_sde");
  nrx_rng_seed(&rng, seed, 0);
  memcpy(w, y0, n * sizeof(double));
  memcpy(y, y0, n * sizeof(double));
  for (i = 1; i < nt && st == NRX_OK; i++) {
    double h = (t[i] - t[i - 1]) / (double)substeps, root = sqrt(h);
    double *a = w + n, *g = w + 2 * n, *dg = w + 3 * n, *z = w + 4 * n;
    for (j = 0; j < substeps && st == NRX_OK; j++) {
      double s = t[i - 1] + (double)j * h;
      st = f->f(f->user, s, w, a);
      if (st == NRX_OK) st = noise->g(noise->user, s, w, g);
      if (st == NRX_OK && method == NRX_DYN_MILSTEIN) {
        if (noise->dg) st = noise->dg(noise->user, s, w, dg);
        else { /* d g_i / d y_i along the noise: (g(y + g sqrt h) - g(y)) / (g sqrt h), diagonal noise */
          for (k = 0; k < n; k++) z[k] = w[k] + g[k] * root;
          st = noise->g(noise->user, s, z, dg);
          for (k = 0; k < n; k++) dg[k] = g[k] != 0 ? (dg[k] - g[k]) / (g[k] * root) : 0.0;
        }
      }
      for (k = 0; k < n; k++) {
        double dw = root * nrx_rng_normal(&rng), step = h * a[k] + g[k] * dw;
        if (method == NRX_DYN_MILSTEIN) step += 0.5 * g[k] * dg[k] * (dw * dw - h);
        w[k] += step;
      }
    }
    if (st == NRX_OK && !nrxi_all_finite(w, n, NRX_F64))
      st = nrxi_fail(NULL, NRX_E_NUMERIC, "nrx_dyn_solve_sde: the path left the finite numbers before t = %g",
          t[i]);
    if (st == NRX_OK) memcpy(y + i * n, w, n * sizeof(double));
  }
  nrxi_free(NULL, w);
  return st;
}

/* -- delay equations: the method of steps -- */

typedef struct nrxi_dyn_past { /* dense pieces of the steps taken, oldest first */
  double *t0, *t1, *piece;   /* piece [cap][5 n]: yold and the four dense coefficients of DP5 */
  size_t count, cap, from;   /* from = first piece still reachable */
} nrxi_dyn_past;

typedef struct nrxi_dyn_dde {
  const nrx_dyn_delay *q;
  const double *y0;
  double t0, *lag;
  nrxi_dyn_past past;
} nrxi_dyn_dde;

static nrx_status nrxi_dyn_past_at(const nrxi_dyn_dde *w, double t, double *y)
{
  const nrxi_dyn_past *p = &w->past;
  size_t lo = 0, hi = p->count, i, n = w->q->n;
  const double *D;
  double x, z;
  if (t <= w->t0 || p->count == 0) {
    if (w->q->history) return w->q->history(w->q->user, t, y);
    memcpy(y, w->y0, n * sizeof(double));
    return NRX_OK;
  }
  while (hi - lo > 1) {
    size_t mid = (lo + hi) / 2;
    if (p->t0[mid] <= t) lo = mid;
    else hi = mid;
  }
  D = p->piece + lo * 5 * n;
  x = (t - p->t0[lo]) / (p->t1[lo] - p->t0[lo]);
  z = 1.0 - x;
  for (i = 0; i < n; i++)
    y[i] = D[i] + x * (D[n + i] + z * (D[2 * n + i] + x * (D[3 * n + i] + z * D[4 * n + i])));
  return NRX_OK;
}

static nrx_status nrxi_dyn_dde_f(void *user, double t, const double *y, double *dydt)
{
  nrxi_dyn_dde *w = (nrxi_dyn_dde *)user;
  size_t i;
  for (i = 0; i < w->q->n_delays; i++) {
    nrx_status st = nrxi_dyn_past_at(w, t - w->q->tau[i], w->lag + i * w->q->n);
    if (st != NRX_OK) return st;
  }
  return w->q->f(w->q->user, t, y, w->lag, dydt);
}

/* Appends the last step of s; drops what no delay can reach. */
static nrx_status nrxi_dyn_past_push(nrxi_dyn_dde *w, nrx_dyn_solver *s, double longest)
{
  nrxi_dyn_past *p = &w->past;
  size_t n = s->n, drop = 0;
  nrx_status st = nrxi_dyn_prepare_dense(s);
  if (st != NRX_OK) return st;
  if (p->count == p->cap) {
    while (drop < p->count && p->t1[drop] < s->told - longest) drop++;
    if (drop >= p->cap / 2 && drop) {
      p->count -= drop;
      memmove(p->t0, p->t0 + drop, p->count * sizeof(double));
      memmove(p->t1, p->t1 + drop, p->count * sizeof(double));
      memmove(p->piece, p->piece + drop * 5 * n, p->count * 5 * n * sizeof(double));
    } else {
      size_t cap = p->cap ? 2 * p->cap : 256;
      double *a = (double *)nrxi_realloc(&s->d.env, p->t0, cap, sizeof(double)), *b, *c;
      if (a) p->t0 = a;
      b = (double *)nrxi_realloc(&s->d.env, p->t1, cap, sizeof(double));
      if (b) p->t1 = b;
      c = cap <= (size_t)-1 / (5 * n) ? (double *)nrxi_realloc(&s->d.env, p->piece, cap * 5 * n,
          sizeof(double)) : NULL;
      if (c) p->piece = c;
      if (!a || !b || !c) return nrxi_dyn_oom(&s->d.env, "nrx_dyn_solve_delay");
      p->cap = cap;
    }
  }
  p->t0[p->count] = s->told;
  p->t1[p->count] = s->t;
  memcpy(p->piece + p->count * 5 * n, s->yold, n * sizeof(double));
  memcpy(p->piece + p->count * 5 * n + n, s->dense, 4 * n * sizeof(double));
  p->count++;
  return NRX_OK;
}

/* Sorted times t0 + sum m_i tau_i with at most five terms, in (t0, tend). */
static size_t nrxi_dyn_breaks(const nrx_dyn_delay *q, double t0, double tend, double *b, size_t cap)
{
  size_t count = 1, level, first = 0, last = 1, i, j, out = 0;
  b[0] = t0;
  for (level = 0; level < 5; level++) {
    for (i = first; i < last; i++)
      for (j = 0; j < q->n_delays && count < cap; j++)
        if (b[i] + q->tau[j] < tend) b[count++] = b[i] + q->tau[j];
    first = last;
    last = count;
  }
  for (i = 1; i < count; i++) { /* insertion sort, then unique */
    double v = b[i];
    for (j = i; j > 0 && b[j - 1] > v; j--) b[j] = b[j - 1];
    b[j] = v;
  }
  for (i = 0; i < count; i++)
    if (b[i] > t0 && (out == 0 || b[i] - b[out - 1] > 1e-12 * (1.0 + fabs(b[i])))) b[out++] = b[i];
  return out;
}

NRX_DEF nrx_status nrx_dyn_solve_delay(const nrx_dyn_delay *f, const double *y0, size_t nt, const double *t,
    double *y, const nrx_dyn_solve_desc *desc, nrx_dyn_solve_info *info)
{
  nrx_dyn_solve_desc d = NRX_ZERO;
  nrx_dyn_solver *s = NULL;
  nrxi_dyn_dde w;
  nrx_vfield field;
  double shortest, longest, *breaks = NULL;
  size_t i, n, row = 1, nb, ib = 0;
  nrx_status st = NRX_OK;
  if (info) memset(info, 0, sizeof *info);
  if (desc) d = *desc;
  if (!f || !f->f || f->n == 0 || f->n_delays == 0 || !f->tau || !y0 || nt < 1 || !t || !y)
    return nrxi_fail(&d.env, NRX_E_ARG,
        "nrx_dyn_solve_delay: needs an equation with delays, an initial state, times and an array");
  n = f->n;
  shortest = longest = f->tau[0];
  for (i = 0; i < f->n_delays; i++) {
    if (!nrxi_finite_f64(&f->tau[i]) || f->tau[i] <= 0)
      return nrxi_fail(&d.env, NRX_E_ARG, "nrx_dyn_solve_delay: tau[%zu] = %g, delays are positive", i,
          f->tau[i]);
    shortest = nrxi_dyn_min(shortest, f->tau[i]);
    longest = nrxi_dyn_max(longest, f->tau[i]);
  }
  for (i = 1; i < nt; i++)
    if (!nrxi_finite_f64(&t[i]) || !(t[i] > t[i - 1]))
      return nrxi_fail(&d.env, NRX_E_ARG, "nrx_dyn_solve_delay: t[%zu] does not increase", i);
  memcpy(y, y0, n * sizeof(double));
  if (nt == 1) { if (info) info->rows = 1; return NRX_OK; }
  memset(&w, 0, sizeof w);
  w.q = f;
  w.y0 = y0;
  w.t0 = t[0];
  w.lag = f->n_delays <= (size_t)-1 / n ? (double *)nrxi_alloc(&d.env, f->n_delays * n, sizeof(double))
      : NULL;
  breaks = (double *)nrxi_alloc(&d.env, 1024, sizeof(double));
  if (!w.lag || !breaks) { st = nrxi_dyn_oom(&d.env, "nrx_dyn_solve_delay"); goto done; }
  nb = nrxi_dyn_breaks(f, t[0], t[nt - 1], breaks, 1024);
  d.method = NRX_DYN_DP5;
  if (d.max_step == 0 || d.max_step > shortest) d.max_step = shortest;
  field.f = nrxi_dyn_dde_f;
  field.jac = NULL;
  field.user = &w;
  field.n = n;
  st = nrx_dyn_solver_create(&field, t[0], y0, t[nt - 1], &d, &s);
  if (st != NRX_OK) goto done;
  while (row < nt) {
    double keep;
    if (s->info.steps >= s->d.max_steps) { s->info.stop = NRX_DYN_STOP_STEPS; break; }
    while (ib < nb && breaks[ib] <= s->t) ib++;
    s->tend = ib < nb && breaks[ib] < t[nt - 1] ? breaks[ib] : t[nt - 1];
    keep = s->h;
    st = nrx_dyn_solver_step(s);
    if (st == NRX_OK) st = nrxi_dyn_past_push(&w, s, longest);
    if (st != NRX_OK) break;
    if (s->t == s->tend && s->t < t[nt - 1]) { /* the derivative may jump here: evaluate afresh, keep the step
            size */
      st = nrxi_dyn_eval(s, s->t, s->y, s->k[0]);
      if (st != NRX_OK) break;
      s->h = nrxi_dyn_max(s->h, keep);
    }
    for (; row < nt && s->t >= t[row]; row++) (void)nrxi_dyn_past_at(&w, t[row], y + row * n);
  }
  s->info.rows = row;
  if (info) *info = s->info;
done:
  nrxi_free(&d.env, w.lag);
  nrxi_free(&d.env, w.past.t0);
  nrxi_free(&d.env, w.past.t1);
  nrxi_free(&d.env, w.past.piece);
  nrxi_free(&d.env, breaks);
  nrx_dyn_solver_free(s);
  return st;
}

/* -- exponential time differencing -- */

/* Kassam & Trefethen's coefficients for one real L: means over 32 points of the unit circle around h L. */
static void nrxi_dyn_etd_coefficients(double L, double h, double *e, double *e2, double *q, double *f1,
    double *f2, double *f3)
{
  double lh = L * h, sq = 0, s1 = 0, s2 = 0, s3 = 0;
  int j;
  for (j = 0; j < 32; j++) { /* upper half circle, real parts */
    double th = NRX_PI * (j + 0.5) / 32.0, a = lh + cos(th), b = sin(th);
    double r2 = a * a + b * b, ir = a / r2, ii = -b / r2;                      /* 1/z */
    double ez = exp(a), er = ez * cos(b), ei = ez * sin(b), hz = exp(0.5 * a);
    double hr = hz * cos(0.5 * b) - 1.0, hi = hz * sin(0.5 * b), i3r, i3i, t, zr, zi;
    double z2r = a * a - b * b, z2i = 2 * a * b;
    sq += hr * ir - hi * ii;
    i3r = ir * ir - ii * ii; i3i = 2 * ir * ii;
    t = i3r * ir - i3i * ii; i3i = i3r * ii + i3i * ir; i3r = t;               /* 1/z^3 */
    zr = 4 - 3 * a + z2r; zi = -3 * b + z2i;
    s1 += (-4 - a + er * zr - ei * zi) * i3r - (-b + er * zi + ei * zr) * i3i;
    zr = a - 2; zi = b;
    s2 += (2 + a + er * zr - ei * zi) * i3r - (b + er * zi + ei * zr) * i3i;
    zr = 4 - a; zi = -b;
    s3 += (-4 - 3 * a - z2r + er * zr - ei * zi) * i3r - (-3 * b - z2i + er * zi + ei * zr) * i3i;
  }
  *e = exp(lh);
  *e2 = exp(0.5 * lh);
  *q = h * sq / 32.0;
  *f1 = h * s1 / 32.0;
  *f2 = h * s2 / 32.0;
  *f3 = h * s3 / 32.0;
}

NRX_DEF nrx_status nrx_dyn_etdrk4(size_t n, const double *L,
                 nrx_status (*nonlinear)(void *user, double t, const double *v, double *nv), void *user,
                 double t0, double h, size_t count, size_t every, double *v, double *out)
{
  double *c, *nv, *na, *nb, *nc, *a, *b, *w;
  size_t i, j, step, total;
  nrx_status st = NRX_OK;
  if (n == 0 || !L || !nonlinear || !v || (count && !out) || every == 0 || !nrxi_finite_f64(&h) || h == 0)
    return nrxi_fail(NULL, NRX_E_ARG,
        "nrx_dyn_etdrk4: needs a linear part, a nonlinear term, a state, a step and every > 0");
  if (!nrxi_mul_ok(n, 20, &total) || !nrxi_mul_ok(count, every, &i))
    return nrxi_fail(NULL, NRX_E_RANGE, "nrx_dyn_etdrk4: sizes overflow");
  total = i;
  c = (double *)nrxi_alloc(NULL, 20 * n, sizeof(double));
  if (!c) return nrxi_dyn_oom(NULL, "nrx_dyn_etdrk4");
  nv = c + 6 * n; na = nv + 2 * n; nb = na + 2 * n; nc = nb + 2 * n; a = nc + 2 * n; b = a + 2 * n;
  w = b + 2 * n;
  for (i = 0; i < n; i++) nrxi_dyn_etd_coefficients(L[i], h, c + i, c + n + i, c + 2 * n + i, c + 3 * n + i,
      c + 4 * n + i, c + 5 * n + i);
  for (step = 0; step < total; step++) {
    double t = t0 + (double)step * h;
    if ((st = nonlinear(user, t, v, nv)) != NRX_OK) break;
    for (j = 0; j < 2 * n; j++) { i = j / 2; a[j] = c[n + i] * v[j] + c[2 * n + i] * nv[j]; }
    if ((st = nonlinear(user, t + 0.5 * h, a, na)) != NRX_OK) break;
    for (j = 0; j < 2 * n; j++) { i = j / 2; b[j] = c[n + i] * v[j] + c[2 * n + i] * na[j]; }
    if ((st = nonlinear(user, t + 0.5 * h, b, nb)) != NRX_OK) break;
    for (j = 0; j < 2 * n; j++) { i = j / 2; w[j] = c[n + i] * a[j] + c[2 * n + i] * (2.0 * nb[j] - nv[j]); }
    if ((st = nonlinear(user, t + h, w, nc)) != NRX_OK) break;
    for (j = 0; j < 2 * n; j++) {
      i = j / 2;
      v[j] = c[i] * v[j] + c[3 * n + i] * nv[j] + 2.0 * c[4 * n + i] * (na[j] + nb[j]) + c[5 * n + i] * nc[j];
    }
    if ((step + 1) % every == 0) {
      if (!nrxi_all_finite(v, 2 * n, NRX_F64)) {
        st = nrxi_fail(NULL, NRX_E_NUMERIC, "nrx_dyn_etdrk4: not finite at t = %g; reduce h", t + h); break; }
      memcpy(out + (step + 1) / every * 2 * n - 2 * n, v, 2 * n * sizeof(double));
    }
  }
  nrxi_free(NULL, c);
  return st;
}

typedef struct nrxi_dyn_ks { nrxi_dyn_fft plan; size_t n; double length, *u, *w, *work; } nrxi_dyn_ks;

/* -u u_x = -1/2 (u^2)_x in Fourier space, modes above n/3 removed. */
static nrx_status nrxi_dyn_ks_n(void *user, double t, const double *v, double *nv)
{
  nrxi_dyn_ks *q = (nrxi_dyn_ks *)user;
  size_t i, n = q->n, half = n / 2;
  double scale = 1.0 / (double)n;
  (void)t;
  for (i = 0; i <= half; i++) {
    int keep = 3 * i < n;
    q->w[2 * i] = keep ? v[2 * i] : 0.0;
    q->w[2 * i + 1] = keep ? v[2 * i + 1] : 0.0;
  }
  nrxi_dyn_irfft(&q->plan, q->w, q->u, q->work);
  for (i = 0; i < n; i++) { double u = q->u[i] * scale; q->u[i] = u * u; }
  nrxi_dyn_rfft(&q->plan, q->u, q->w, q->work);
  for (i = 0; i <= half; i++) {
    double k = 2 * NRX_PI / q->length * (double)i;
    int keep = 3 * i < n;
    nv[2 * i] = keep ? 0.5 * k * q->w[2 * i + 1] : 0.0;
    nv[2 * i + 1] = keep ? -0.5 * k * q->w[2 * i] : 0.0;
  }
  return NRX_OK;
}

NRX_DEF nrx_status nrx_dyn_kuramoto_sivashinsky(size_t n, double length, const double *u0, double h,
    size_t count, size_t every, double *out, const nrx_env *env)
{
  nrxi_dyn_ks q;
  double *mem, *L, *v, *modes;
  size_t i, half = n / 2, m = half + 1, total, work;
  nrx_status st;
  if (n < 4 || n % 2 || !u0 || !out || !(length > 0) || !(h > 0) || every == 0
      || !nrxi_all_finite(u0, n, NRX_F64))
    return nrxi_fail(env, NRX_E_ARG,
        "nrx_dyn_kuramoto_sivashinsky: needs an even n >= 4, a length, a step and a finite field");
  memset(&q, 0, sizeof q);
  st = nrxi_dyn_fft_plan(&q.plan, n, env);
  if (st != NRX_OK) return nrxi_fail(env, st, "nrx_dyn_kuramoto_sivashinsky: no FFT plan for n = %zu", n);
  work = nrxi_dyn_fft_work(&q.plan);
  mem = NULL;
  if (nrxi_mul_ok(m, 2 * (count + 1), &total) && nrxi_add_ok(total, 8 * n + work + 16, &total))
    mem = (double *)nrxi_alloc(env, total, sizeof(double));
  if (!mem) { nrxi_dyn_fft_drop(&q.plan); return nrxi_dyn_oom(env, "nrx_dyn_kuramoto_sivashinsky"); }
  L = mem; q.u = L + m; q.w = q.u + n; v = q.w + 2 * m; q.work = v + 2 * m; modes = q.work + work;
  q.n = n;
  q.length = length;
  for (i = 0; i < m; i++) {
    double k = 2 * NRX_PI / length * (double)i;
    L[i] = k * k - k * k * k * k;
  }
  nrxi_dyn_rfft(&q.plan, u0, v, q.work);
  st = nrx_dyn_etdrk4(m, L, nrxi_dyn_ks_n, &q, 0.0, h, count, every, v, modes);
  for (i = 0; st == NRX_OK && i < count; i++) {
    size_t j;
    memcpy(q.w, modes + i * 2 * m, 2 * m * sizeof(double));
    nrxi_dyn_irfft(&q.plan, q.w, out + i * n, q.work);
    for (j = 0; j < n; j++) out[i * n + j] /= (double)n;
  }
  nrxi_dyn_fft_drop(&q.plan);
  nrxi_free(env, mem);
  return st;
}

/* -- variational equations -- */

static nrx_status nrxi_dyn_tangent_f(void *user, double t, const double *y, double *dydt)
{
  const nrx_dyn_tangent *w = (const nrx_dyn_tangent *)user;
  size_t n = w->f.n, k = w->k, i, j, l;
  const double *Q = y + n;
  double *dQ = dydt + n, *J = w->buf, *a = J + n * n, *b = a + n, *fa = b + n, *fb = fa + n;
  nrx_status st = w->f.f(w->f.user, t, y, dydt);
  if (st != NRX_OK) return st;
  if (w->f.jac) {
    if ((st = w->f.jac(w->f.user, t, y, J)) != NRX_OK) return st;
    for (i = 0; i < n; i++) {
      double *r = dQ + i * k;
      for (l = 0; l < k; l++) r[l] = 0.0;
      for (j = 0; j < n; j++) {
        double v = J[i * n + j];
        const double *q = Q + j * k;
        if (v != 0.0) for (l = 0; l < k; l++) r[l] += v * q[l];
      }
    }
    return NRX_OK;
  }
  for (l = 0; l < k; l++) {
    double norm = 0, size = 0, h;
    for (i = 0; i < n; i++) {
      norm = nrxi_dyn_max(norm, fabs(Q[i * k + l]));
      size = nrxi_dyn_max(size, fabs(y[i]));
    }
    if (norm == 0) norm = 1;
    h = 1e-6 * nrxi_dyn_max(size, 1.0) / norm;
    for (i = 0; i < n; i++) {
      a[i] = y[i] + h * Q[i * k + l];
      b[i] = y[i] - h * Q[i * k + l];
    }
    if ((st = w->f.f(w->f.user, t, a, fa)) != NRX_OK || (st = w->f.f(w->f.user, t, b, fb)) != NRX_OK)
      return st;
    for (i = 0; i < n; i++) dQ[i * k + l] = (fa[i] - fb[i]) / (2 * h);
  }
  return NRX_OK;
}

NRX_DEF nrx_status nrx_dyn_tangent_field(nrx_dyn_tangent *t, nrx_vfield *out)
{
  size_t size;
  if (!t || !out || !t->f.f || t->f.n == 0 || t->k == 0 || !t->buf || !nrxi_mul_ok(t->f.n, t->k + 1, &size))
    return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_tangent_field: needs a field, k > 0 and a buffer");
  out->f = nrxi_dyn_tangent_f;
  out->jac = NULL;
  out->user = t;
  out->n = size;
  return NRX_OK;
}

/* -- adjoint of the RK4 scheme -- */

static nrx_status nrxi_dyn_rk4_stages(const nrx_dyn_parametric *f, const double *p, double t, double h,
    const double *y,
                   double *k, double *Y) /* k [4][n], Y [4][n] */
{
  size_t i, n = f->n, m;
  static const double c[4] = {0.0, 0.5, 0.5, 1.0};
  for (m = 0; m < 4; m++) {
    nrx_status st;
    for (i = 0; i < n; i++) Y[m * n + i] = y[i] + (m ? h * c[m] * k[(m - 1) * n + i] : 0.0);
    st = f->f(f->user, p, t + c[m] * h, Y + m * n, k + m * n);
    if (st != NRX_OK) return st;
  }
  return NRX_OK;
}

NRX_DEF nrx_status nrx_dyn_adjoint(const nrx_dyn_parametric *f, const double *p, const double *y0, size_t nt,
    const double *t, size_t substeps, nrx_status (*loss)(void *user, size_t i, const double *y, double *value,
    double *grad), void *loss_user, double *value, double *grad_y0, double *grad_p, const nrx_env *env)
{
  double *mem, *path, *k, *Y, *ak, *lam, *g;
  size_t n, i, j, m, l, total;
  nrx_status st = NRX_OK;
  static const double c[4] = {0.0, 0.5, 0.5, 1.0}, b[4] = {1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6};
  if (!f || !f->f || !f->vjp || f->n == 0 || !y0 || nt < 1 || !t || substeps == 0 || !loss || !value
      || (f->np && (!p || !grad_p)))
    return nrxi_fail(env, NRX_E_ARG,
        "nrx_dyn_adjoint: needs a field with vjp, times, substeps, a loss and output arrays");
  n = f->n;
  if (!nrxi_mul_ok(nt, substeps, &total) || !nrxi_mul_ok(total + 1, n, &total)
      || !nrxi_add_ok(total, 14 * n, &total))
    return nrxi_fail(env, NRX_E_RANGE, "nrx_dyn_adjoint: sizes overflow");
  mem = (double *)nrxi_alloc(env, total, sizeof(double));
  if (!mem) return nrxi_dyn_oom(env, "nrx_dyn_adjoint");
  k = mem; Y = k + 4 * n; ak = Y + 4 * n; lam = ak + 4 * n; g = lam + n; path = g + n;
  memcpy(path, y0, n * sizeof(double));
  *value = 0.0;
  for (i = 1; i < nt && st == NRX_OK; i++) {
    double h = (t[i] - t[i - 1]) / (double)substeps;
    for (j = 0; j < substeps && st == NRX_OK; j++) {
      double *y = path + ((i - 1) * substeps + j) * n;
      st = nrxi_dyn_rk4_stages(f, p, t[i - 1] + (double)j * h, h, y, k, Y);
      for (l = 0; l < n; l++) {
        double v = y[l];
        for (m = 0; m < 4; m++) v += h * b[m] * k[m * n + l];
        y[n + l] = v;
      }
    }
  }
  if (st == NRX_OK && !nrxi_all_finite(path, ((nt - 1) * substeps + 1) * n, NRX_F64))
    st = nrxi_fail(env, NRX_E_NUMERIC, "nrx_dyn_adjoint: the solution left the finite numbers");
  memset(lam, 0, n * sizeof(double));
  if (f->np) memset(grad_p, 0, f->np * sizeof(double));
  for (i = nt; st == NRX_OK && i-- > 0;) {
    double h;
    memset(g, 0, n * sizeof(double));
    st = loss(loss_user, i, path + i * substeps * n, value, g);
    for (l = 0; l < n; l++) lam[l] += g[l];
    if (i == 0 || st != NRX_OK) break;
    h = (t[i] - t[i - 1]) / (double)substeps;
    for (j = substeps; st == NRX_OK && j-- > 0;) {
      double at = t[i - 1] + (double)j * h;
      st = nrxi_dyn_rk4_stages(f, p, at, h, path + ((i - 1) * substeps + j) * n, k, Y);
      for (m = 0; m < 4; m++) for (l = 0; l < n; l++) ak[m * n + l] = h * b[m] * lam[l];
      for (m = 4; st == NRX_OK && m-- > 0;) { /* stage m: Y_m = y + h c_m k_{m-1} */
        memset(g, 0, n * sizeof(double));
        st = f->vjp(f->user, p, at + c[m] * h, Y + m * n, ak + m * n, g, grad_p);
        for (l = 0; l < n; l++) {
          lam[l] += g[l];
          if (m) ak[(m - 1) * n + l] += h * c[m] * g[l];
        }
      }
    }
  }
  if (grad_y0) memcpy(grad_y0, lam, n * sizeof(double));
  nrxi_free(env, mem);
  return st;
}

/* ======================================== the catalogue ================ */

/* Equations, parameters and starts as in the public dysts collection (Gilpin 2021) where it is right;
   exponents are recomputed. Differences: Lorenz63 has beta = 8/3, DoublePendulum is the Hamiltonian one,
   HenonHeiles8 and HenonHeiles6 start on chaotic orbits, SprottA and HenonHeiles start on regular ones. The
   Jacobians were derived symbolically and are checked against differences by the tests. */

static double nrxi_dyn_wrap(double a, double m) { return a - m * floor(a / m); }
static double nrxi_dyn_sign(double a) { return a > 0 ? 1.0 : -1.0; }

/* Field (its text is the printed equation) and Jacobian of an entry: names are NRXI_DYN_Sn(states)
 * NRXI_DYN_Km(parameters). */
#define NRXI_DYN_F(id, names, ...) static const char nrxi_dyn_eq_##id[] = #__VA_ARGS__; \
  static nrx_status nrxi_dyn_f_##id(void *user, double t, const double *in, double *out) \
  { const double *k_ = (const double *)user; names (void)t; (void)k_; __VA_ARGS__ return NRX_OK; }
#define NRXI_DYN_J(id, n, names, ...) static nrx_status nrxi_dyn_j_##id(void *user, double t, \
    const double *in, double *J) \
  { const double *k_ = (const double *)user; names (void)t; (void)k_; (void)memset(J, 0, n * n * sizeof *J); \
    __VA_ARGS__ return NRX_OK; }
#define NRXI_DYN_FJ(id, n, states, m, params, field, jacobian) \
  NRXI_DYN_F(id, NRXI_DYN_S##n states NRXI_DYN_K##m params, field) \
  NRXI_DYN_J(id, n, NRXI_DYN_S##n states NRXI_DYN_K##m params, jacobian)
#define NRXI_DYN_V(name, from) const double name = from; (void)name;
#define NRXI_DYN_S1(a) NRXI_DYN_V(a, in[0])
#define NRXI_DYN_S2(a, b) NRXI_DYN_S1(a) NRXI_DYN_V(b, in[1])
#define NRXI_DYN_S3(a, b, c) NRXI_DYN_S2(a, b) NRXI_DYN_V(c, in[2])
#define NRXI_DYN_S4(a, b, c, d) NRXI_DYN_S3(a, b, c) NRXI_DYN_V(d, in[3])
#define NRXI_DYN_K0()
#define NRXI_DYN_K1(a) NRXI_DYN_V(a, k_[0])
#define NRXI_DYN_K2(a, b) NRXI_DYN_K1(a) NRXI_DYN_V(b, k_[1])
#define NRXI_DYN_K3(a, b, c) NRXI_DYN_K2(a, b) NRXI_DYN_V(c, k_[2])
#define NRXI_DYN_K4(a, b, c, d) NRXI_DYN_K3(a, b, c) NRXI_DYN_V(d, k_[3])
#define NRXI_DYN_K5(a, b, c, d, e) NRXI_DYN_K4(a, b, c, d) NRXI_DYN_V(e, k_[4])
#define NRXI_DYN_K6(a, b, c, d, e, f) NRXI_DYN_K5(a, b, c, d, e) NRXI_DYN_V(f, k_[5])
#define NRXI_DYN_K8(a, b, c, d, e, f, g, h) NRXI_DYN_K6(a, b, c, d, e, f) NRXI_DYN_V(g, k_[6]) \
  NRXI_DYN_V(h, k_[7])

NRXI_DYN_FJ(Lorenz, 3, (x, y, z), 3, (beta, rho, sigma),
  out[0] = sigma*(y - x); out[1] = x*(rho - z) - y; out[2] = x*y - beta*z;,
  J[0] = -sigma; J[1] = sigma; J[3] = rho - z; J[4] = -1.0; J[5] = -x; J[6] = y; J[7] = x; J[8] = -beta;)
NRXI_DYN_FJ(Rossler, 3, (x, y, z), 3, (a, b, c),
  out[0] = -y - z; out[1] = x + a*y; out[2] = b + z*(x - c);,
  J[1] = -1.0; J[2] = -1.0; J[3] = 1.0; J[4] = a; J[6] = z; J[8] = -c + x;)
NRXI_DYN_FJ(Lorenz84, 3, (x, y, z), 4, (a, b, f, g),
  out[0] = -a*x - y*y - z*z + a*f; out[1] = -y + x*y - b*x*z + g; out[2] = -z + b*x*y + x*z;,
  J[0] = -a; J[1] = -2.0*y; J[2] = -2.0*z; J[3] = -b*z + y; J[4] = x - 1.0; J[5] = -b*x; J[6] = b*y + z;
  J[7] = b*x; J[8] = x - 1.0;)
NRXI_DYN_FJ(Thomas, 3, (x, y, z), 2, (a, b),
  out[0] = -a*x + b*sin(y); out[1] = -a*y + b*sin(z); out[2] = -a*z + b*sin(x);,
  J[0] = -a; J[1] = b*cos(y); J[4] = -a; J[5] = b*cos(z); J[6] = b*cos(x); J[8] = -a;)
NRXI_DYN_FJ(Halvorsen, 3, (x, y, z), 2, (a, b),
  out[0] = -a*x - b*(y + z) - y*y; out[1] = -a*y - b*(z + x) - z*z; out[2] = -a*z - b*(x + y) - x*x;,
  J[0] = -a; J[1] = -b - 2.0*y; J[2] = -b; J[3] = -b; J[4] = -a; J[5] = -b - 2.0*z; J[6] = -b - 2.0*x;
  J[7] = -b; J[8] = -a;)
NRXI_DYN_FJ(Chen, 3, (x, y, z), 3, (a, b, c),
  out[0] = a*(y - x); out[1] = (c - a)*x - x*z + c*y; out[2] = x*y - b*z;,
  J[0] = -a; J[1] = a; J[3] = -a + c - z; J[4] = c; J[5] = -x; J[6] = y; J[7] = x; J[8] = -b;)
NRXI_DYN_FJ(ChenLee, 3, (x, y, z), 3, (a, b, c),
  out[0] = a*x - y*z; out[1] = b*y + x*z; out[2] = c*z + x*y/3.0;,
  J[0] = a; J[1] = -z; J[2] = -y; J[3] = z; J[4] = b; J[5] = x; J[6] = 0.3333333333333333*y;
  J[7] = 0.3333333333333333*x; J[8] = c;)
NRXI_DYN_FJ(LuChen, 3, (x, y, z), 3, (a, b, c),
  out[0] = a*(y - x); out[1] = -x*z + c*y; out[2] = x*y - b*z;,
  J[0] = -a; J[1] = a; J[3] = -z; J[4] = c; J[5] = -x; J[6] = y; J[7] = x; J[8] = -b;)
NRXI_DYN_FJ(Chua, 3, (x, y, z), 4, (alpha, beta, m0, m1),
  out[0] = alpha*(y - x - m1*x - 0.5*(m0 - m1)*(fabs(x + 1.0) - fabs(x - 1.0))); out[1] = x - y + z;
  out[2] = -beta*y;,
  J[0] = alpha*(-m1 - (0.5*m0 - 0.5*m1)*(-nrxi_dyn_sign(x - 1.0) + nrxi_dyn_sign(x + 1.0)) - 1.0);
  J[1] = alpha; J[3] = 1.0; J[4] = -1.0; J[5] = 1.0; J[7] = -beta;)
NRXI_DYN_FJ(Dadras, 3, (x, y, z), 5, (c, e, o, p, r),
  out[0] = y - p*x + o*y*z; out[1] = r*y - x*z + z; out[2] = c*x*y - e*z;,
  J[0] = -p; J[1] = o*z + 1.0; J[2] = o*y; J[3] = -z; J[4] = r; J[5] = 1.0 - x; J[6] = c*y; J[7] = c*x;
  J[8] = -e;)
NRXI_DYN_FJ(Duffing, 3, (x, y, z), 5, (alpha, beta, delta, gamma, omega),
  out[0] = y; out[1] = -delta*y - beta*x - alpha*x*x*x + gamma*cos(z); out[2] = omega;,
  J[1] = 1.0; J[3] = -3.0*alpha*(x*x) - beta; J[4] = -delta; J[5] = -gamma*sin(z);)
NRXI_DYN_FJ(ForcedVanDerPol, 3, (x, y, z), 3, (a, mu, w),
  out[0] = y; out[1] = mu*(1.0 - x*x)*y - x + a*sin(z); out[2] = w;,
  J[1] = 1.0; J[3] = -2.0*mu*x*y - 1.0; J[4] = mu*(1.0 - (x*x)); J[5] = a*cos(z);)
NRXI_DYN_FJ(ForcedFitzHughNagumo, 3, (v, w, z), 6, (a, b, curr, f, gamma, omega),
  out[0] = v - v*v*v/3.0 - w + curr + f*sin(z); out[1] = gamma*(v + a - b*w); out[2] = omega;,
  J[0] = 1.0 - 1.0*(v*v); J[1] = -1.0; J[2] = f*cos(z); J[3] = gamma; J[4] = -b*gamma;)
NRXI_DYN_FJ(HenonHeiles, 4, (x, y, px, py), 1, (lam),
  out[0] = px; out[1] = py; out[2] = -x - 2.0*lam*x*y; out[3] = -y - lam*x*x + lam*y*y;,
  J[2] = 1.0; J[7] = 1.0; J[8] = -2.0*lam*y - 1.0; J[9] = -2.0*lam*x; J[12] = -2.0*lam*x;
  J[13] = 2.0*lam*y - 1.0;)
NRXI_DYN_FJ(NoseHoover, 3, (x, y, z), 1, (a),
  out[0] = y; out[1] = -x + y*z; out[2] = a - y*y;,
  J[1] = 1.0; J[3] = -1.0; J[4] = z; J[5] = y; J[7] = -2.0*y;)
NRXI_DYN_FJ(HastingsPowell, 3, (x, y, z), 6, (a1, a2, b1, b2, d1, d2),
  out[0] = x*(1.0 - x) - a1*x*y/(1.0 + b1*x); out[1] = a1*x*y/(1.0 + b1*x) - a2*y*z/(1.0 + b2*y) - d1*y;
  out[2] = a2*y*z/(1.0 + b2*y) - d2*z;,
  J[0] = a1*b1*x*y/((b1*x + 1.0)*(b1*x + 1.0)) - a1*y/(b1*x + 1.0) - 2.0*x + 1.0; J[1] = -a1*x/(b1*x + 1.0);
  J[3] = -a1*b1*x*y/((b1*x + 1.0)*(b1*x + 1.0)) + a1*y/(b1*x + 1.0);
  J[4] = a1*x/(b1*x + 1.0) + a2*b2*y*z/((b2*y + 1.0)*(b2*y + 1.0)) - a2*z/(b2*y + 1.0) - d1;
  J[5] = -a2*y/(b2*y + 1.0); J[7] = -a2*b2*y*z/((b2*y + 1.0)*(b2*y + 1.0)) + a2*z/(b2*y + 1.0);
  J[8] = a2*y/(b2*y + 1.0) - d2;)
NRXI_DYN_FJ(RabinovichFabrikant, 3, (x, y, z), 2, (a, g),
  out[0] = y*(z - 1.0 + x*x) + g*x; out[1] = x*(3.0*z + 1.0 - x*x) + g*y; out[2] = -2.0*z*(a + x*y);,
  J[0] = g + 2.0*x*y; J[1] = (x*x) + z - 1.0; J[2] = y; J[3] = -3.0*(x*x) + 3.0*z + 1.0; J[4] = g;
  J[5] = 3.0*x; J[6] = -2.0*y*z; J[7] = -2.0*x*z; J[8] = -2.0*a - 2.0*x*y;)
NRXI_DYN_FJ(Rucklidge, 3, (x, y, z), 2, (a, b),
  out[0] = -a*x + b*y - y*z; out[1] = x; out[2] = -z + y*y;,
  J[0] = -a; J[1] = b - z; J[2] = -y; J[3] = 1.0; J[7] = 2.0*y; J[8] = -1.0;)
NRXI_DYN_FJ(Aizawa, 3, (x, y, z), 6, (a, b, c, d, e, f),
  out[0] = (z - b)*x - d*y; out[1] = d*x + (z - b)*y;
  out[2] = c + a*z - z*z*z/3.0 - x*x - y*y - e*z*(x*x + y*y) + f*z*x*x*x;,
  J[0] = -b + z; J[1] = -d; J[2] = x; J[3] = d; J[4] = -b + z; J[5] = y;
  J[6] = -2.0*e*x*z + 3.0*f*(x*x)*z - 2.0*x; J[7] = -2.0*e*y*z - 2.0*y;
  J[8] = a - e*((x*x) + (y*y)) + f*(x*x*x) - 1.0*(z*z);)
NRXI_DYN_FJ(Arneodo, 3, (x, y, z), 4, (a, b, c, d),
  out[0] = y; out[1] = z; out[2] = -a*x - b*y - c*z + d*x*x*x;,
  J[1] = 1.0; J[5] = 1.0; J[6] = -a + 3.0*d*(x*x); J[7] = -b; J[8] = -c;)
NRXI_DYN_FJ(GenesioTesi, 3, (x, y, z), 3, (a, b, c),
  out[0] = y; out[1] = z; out[2] = -c*x - b*y - a*z + x*x;,
  J[1] = 1.0; J[5] = 1.0; J[6] = -c + 2.0*x; J[7] = -b; J[8] = -a;)
NRXI_DYN_FJ(Hadley, 3, (x, y, z), 4, (a, b, f, g),
  out[0] = -y*y - z*z - a*x + a*f; out[1] = x*y - b*x*z - y + g; out[2] = b*x*y + x*z - z;,
  J[0] = -a; J[1] = -2.0*y; J[2] = -2.0*z; J[3] = -b*z + y; J[4] = x - 1.0; J[5] = -b*x; J[6] = b*y + z;
  J[7] = b*x; J[8] = x - 1.0;)
NRXI_DYN_FJ(RikitakeDynamo, 3, (x, y, z), 2, (a, mu),
  out[0] = -mu*x + y*z; out[1] = -mu*y - a*x + x*z; out[2] = 1.0 - x*y;,
  J[0] = -mu; J[1] = z; J[2] = y; J[3] = -a + z; J[4] = -mu; J[5] = x; J[6] = -y; J[7] = -x;)
NRXI_DYN_FJ(ShimizuMorioka, 3, (x, y, z), 2, (a, b),
  out[0] = y; out[1] = x - a*y - x*z; out[2] = -b*z + x*x;,
  J[1] = 1.0; J[3] = 1.0 - z; J[4] = -a; J[5] = -x; J[6] = 2.0*x; J[8] = -b;)
NRXI_DYN_FJ(NewtonLeipnik, 3, (x, y, z), 2, (a, b),
  out[0] = -a*x + y + 10.0*y*z; out[1] = -x - 0.4*y + 5.0*x*z; out[2] = b*z - 5.0*x*y;,
  J[0] = -a; J[1] = 10.0*z + 1.0; J[2] = 10.0*y; J[3] = 5.0*z - 1.0; J[4] = -0.4; J[5] = 5.0*x;
  J[6] = -5.0*y; J[7] = -5.0*x; J[8] = b;)
NRXI_DYN_FJ(BurkeShaw, 3, (x, y, z), 2, (e, n),
  out[0] = -n*(x + y); out[1] = y - n*x*z; out[2] = n*x*y + e;,
  J[0] = -n; J[1] = -n; J[3] = -n*z; J[4] = 1.0; J[5] = -n*x; J[6] = n*y; J[7] = n*x;)
NRXI_DYN_FJ(MooreSpiegel, 3, (x, y, z), 3, (a, b, eps),
  out[0] = y; out[1] = a*z; out[2] = -z + eps*y - y*x*x - b*x;,
  J[1] = 1.0; J[5] = a; J[6] = -b - 2.0*x*y; J[7] = eps - (x*x); J[8] = -1.0;)
NRXI_DYN_FJ(Finance, 3, (x, y, z), 3, (a, b, c),
  out[0] = (1.0/b - a)*x + z + x*y; out[1] = -b*y - x*x; out[2] = -x - c*z;,
  J[0] = -a + y + 1.0/b; J[1] = x; J[2] = 1.0; J[3] = -2.0*x; J[4] = -b; J[6] = -1.0; J[8] = -c;)
NRXI_DYN_FJ(VallisElNino, 3, (x, y, z), 3, (b, c, p),
  out[0] = b*y - c*(x + p); out[1] = -y + x*z; out[2] = -z - x*y + 1.0;,
  J[0] = -c; J[1] = b; J[3] = z; J[4] = -1.0; J[5] = x; J[6] = -y; J[7] = -x; J[8] = -1.0;)
NRXI_DYN_FJ(WangSun, 3, (x, y, z), 6, (a, b, d, e, f, q),
  out[0] = a*x + q*y*z; out[1] = b*x + d*y - x*z; out[2] = e*z + f*x*y;,
  J[0] = a; J[1] = q*z; J[2] = q*y; J[3] = b - z; J[4] = d; J[5] = -x; J[6] = f*y; J[7] = f*x; J[8] = e;)
NRXI_DYN_FJ(Sakarya, 3, (x, y, z), 8, (a, b, c, h, p, q, r, s),
  out[0] = a*x + h*y + s*y*z; out[1] = -b*y - p*x + q*x*z; out[2] = c*z - r*x*y;,
  J[0] = a; J[1] = h + s*z; J[2] = s*y; J[3] = -p + q*z; J[4] = -b; J[5] = q*x; J[6] = -r*y; J[7] = -r*x;
  J[8] = c;)
NRXI_DYN_FJ(ArnoldBeltramiChildress, 3, (x, y, z), 3, (a, b, c),
  out[0] = a*sin(z) + c*cos(y); out[1] = b*sin(x) + a*cos(z); out[2] = c*sin(y) + b*cos(x);,
  J[1] = -c*sin(y); J[2] = a*cos(z); J[3] = b*cos(x); J[5] = -a*sin(z); J[6] = -b*sin(x); J[7] = c*cos(y);)
NRXI_DYN_FJ(LorenzStenflo, 4, (x, y, z, w), 4, (a, b, c, d),
  out[0] = a*(y - x) + d*w; out[1] = x*(c - z) - y; out[2] = x*y - b*z; out[3] = -x - a*w;,
  J[0] = -a; J[1] = a; J[3] = d; J[4] = c - z; J[5] = -1.0; J[6] = -x; J[8] = y; J[9] = x; J[10] = -b;
  J[12] = -1.0; J[15] = -a;)
NRXI_DYN_FJ(HyperRossler, 4, (x, y, z, w), 4, (a, b, c, d),
  out[0] = -y - z; out[1] = x + a*y + w; out[2] = b + x*z; out[3] = -c*z + d*w;,
  J[1] = -1.0; J[2] = -1.0; J[4] = 1.0; J[5] = a; J[7] = 1.0; J[8] = z; J[10] = x; J[14] = -c; J[15] = d;)
NRXI_DYN_FJ(HyperLorenz, 4, (x, y, z, w), 4, (a, b, c, d),
  out[0] = a*(y - x) + w; out[1] = c*x - x*z - y; out[2] = x*y - b*z; out[3] = d*w - x*z;,
  J[0] = -a; J[1] = a; J[3] = 1.0; J[4] = c - z; J[5] = -1.0; J[6] = -x; J[8] = y; J[9] = x; J[10] = -b;
  J[12] = -z; J[14] = -x; J[15] = d;)
NRXI_DYN_FJ(NuclearQuadrupole, 4, (q1, q2, p1, p2), 3, (a, b, d),
  out[0] = a*p1; out[1] = a*p2;
  out[2] = -a*q1 + 2.1213203435596424*b*(q1*q1 - q2*q2) - d*q1*(q1*q1 + q2*q2);
  out[3] = -a*q2 - 4.2426406871192848*b*q1*q2 - d*q2*(q1*q1 + q2*q2);,
  J[2] = a; J[7] = a; J[8] = -a + 4.242640687119285*b*q1 - 2.0*d*(q1*q1) - d*((q1*q1) + (q2*q2));
  J[9] = -4.242640687119285*b*q2 - 2.0*d*q1*q2; J[12] = -4.242640687119285*b*q2 - 2.0*d*q1*q2;
  J[13] = -a - 4.242640687119285*b*q1 - 2.0*d*(q2*q2) - d*((q1*q1) + (q2*q2));)
NRXI_DYN_FJ(SprottA, 3, (x, y, z), 0, (),
  out[0] = y; out[1] = -x + y*z; out[2] = 1.0 - y*y;,
  J[1] = 1.0; J[3] = -1.0; J[4] = z; J[5] = y; J[7] = -2.0*y;)
NRXI_DYN_FJ(SprottB, 3, (x, y, z), 0, (),
  out[0] = y*z; out[1] = x - y; out[2] = 1.0 - x*y;,
  J[1] = z; J[2] = y; J[3] = 1.0; J[4] = -1.0; J[6] = -y; J[7] = -x;)
NRXI_DYN_FJ(SprottC, 3, (x, y, z), 0, (),
  out[0] = y*z; out[1] = x - y; out[2] = 1.0 - x*x;,
  J[1] = z; J[2] = y; J[3] = 1.0; J[4] = -1.0; J[6] = -2.0*x;)
NRXI_DYN_FJ(SprottD, 3, (x, y, z), 0, (),
  out[0] = -y; out[1] = x + z; out[2] = x*z + 3.0*y*y;,
  J[1] = -1.0; J[3] = 1.0; J[5] = 1.0; J[6] = z; J[7] = 6.0*y; J[8] = x;)
NRXI_DYN_FJ(SprottE, 3, (x, y, z), 0, (),
  out[0] = y*z; out[1] = x*x - y; out[2] = 1.0 - 4.0*x;,
  J[1] = z; J[2] = y; J[3] = 2.0*x; J[4] = -1.0; J[6] = -4.0;)
NRXI_DYN_FJ(SprottF, 3, (x, y, z), 1, (a),
  out[0] = y + z; out[1] = -x + a*y; out[2] = x*x - z;,
  J[1] = 1.0; J[2] = 1.0; J[3] = -1.0; J[4] = a; J[6] = 2.0*x; J[8] = -1.0;)
NRXI_DYN_FJ(SprottG, 3, (x, y, z), 1, (a),
  out[0] = a*x + z; out[1] = x*z - y; out[2] = -x + y;,
  J[0] = a; J[2] = 1.0; J[3] = z; J[4] = -1.0; J[5] = x; J[6] = -1.0; J[7] = 1.0;)
NRXI_DYN_FJ(SprottH, 3, (x, y, z), 1, (a),
  out[0] = -y + z*z; out[1] = x + a*y; out[2] = x - z;,
  J[1] = -1.0; J[2] = 2.0*z; J[3] = 1.0; J[4] = a; J[6] = 1.0; J[8] = -1.0;)
NRXI_DYN_FJ(SprottI, 3, (x, y, z), 1, (a),
  out[0] = -a*y; out[1] = x + z; out[2] = x + y*y - z;,
  J[1] = -a; J[3] = 1.0; J[5] = 1.0; J[6] = 1.0; J[7] = 2.0*y; J[8] = -1.0;)
NRXI_DYN_FJ(SprottJ, 3, (x, y, z), 0, (),
  out[0] = 2.0*z; out[1] = -2.0*y + z; out[2] = -x + y + y*y;,
  J[2] = 2.0; J[4] = -2.0; J[5] = 1.0; J[6] = -1.0; J[7] = 2.0*y + 1.0;)
NRXI_DYN_FJ(SprottK, 3, (x, y, z), 1, (a),
  out[0] = x*y - z; out[1] = x - y; out[2] = x + a*z;,
  J[0] = y; J[1] = x; J[2] = -1.0; J[3] = 1.0; J[4] = -1.0; J[6] = 1.0; J[8] = a;)
NRXI_DYN_FJ(SprottL, 3, (x, y, z), 2, (a, b),
  out[0] = y + b*z; out[1] = a*x*x - y; out[2] = 1.0 - x;,
  J[1] = 1.0; J[2] = b; J[3] = 2.0*a*x; J[4] = -1.0; J[6] = -1.0;)
NRXI_DYN_FJ(SprottM, 3, (x, y, z), 1, (a),
  out[0] = -z; out[1] = -x*x - y; out[2] = a + a*x + y;,
  J[2] = -1.0; J[3] = -2.0*x; J[4] = -1.0; J[6] = a; J[7] = 1.0;)
NRXI_DYN_FJ(SprottN, 3, (x, y, z), 0, (),
  out[0] = -2.0*y; out[1] = x + z*z; out[2] = 1.0 + y - 2.0*z;,
  J[1] = -2.0; J[3] = 1.0; J[5] = 2.0*z; J[7] = 1.0; J[8] = -2.0;)
NRXI_DYN_FJ(SprottO, 3, (x, y, z), 1, (a),
  out[0] = y; out[1] = x - z; out[2] = x + x*z + a*y;,
  J[1] = 1.0; J[3] = 1.0; J[5] = -1.0; J[6] = z + 1.0; J[7] = a; J[8] = x;)
NRXI_DYN_FJ(SprottP, 3, (x, y, z), 1, (a),
  out[0] = a*y + z; out[1] = -x + y*y; out[2] = x + y;,
  J[1] = a; J[2] = 1.0; J[3] = -1.0; J[4] = 2.0*y; J[6] = 1.0; J[7] = 1.0;)
NRXI_DYN_FJ(SprottQ, 3, (x, y, z), 2, (a, b),
  out[0] = -z; out[1] = x - y; out[2] = a*x + y*y + b*z;,
  J[2] = -1.0; J[3] = 1.0; J[4] = -1.0; J[6] = a; J[7] = 2.0*y; J[8] = b;)
NRXI_DYN_FJ(SprottR, 3, (x, y, z), 2, (a, b),
  out[0] = a - y; out[1] = b + z; out[2] = x*y - z;,
  J[1] = -1.0; J[5] = 1.0; J[6] = y; J[7] = x; J[8] = -1.0;)
NRXI_DYN_FJ(SprottS, 3, (x, y, z), 0, (),
  out[0] = -x - 4.0*y; out[1] = x + z*z; out[2] = 1.0 + x;,
  J[0] = -1.0; J[1] = -4.0; J[3] = 1.0; J[5] = 2.0*z; J[6] = 1.0;)
NRXI_DYN_FJ(SprottJerk, 3, (x, y, z), 1, (mu),
  out[0] = y; out[1] = z; out[2] = -x + y*y - mu*z;,
  J[1] = 1.0; J[5] = 1.0; J[6] = -1.0; J[7] = 2.0*y; J[8] = -mu;)
NRXI_DYN_F(DoublePendulum, NRXI_DYN_S4(a, b, p, q) NRXI_DYN_K1(g),
  const double c = cos(a - b), s = sin(a - b), D = 1.0 + s*s, h1 = p*q*s/D;
  const double h2 = (p*p + 2.0*q*q - 2.0*p*q*c)*sin(2.0*(a - b))/(2.0*D*D); out[0] = (p - q*c)/D;
  out[1] = (2.0*q - p*c)/D; out[2] = -2.0*g*sin(a) - h1 + h2; out[3] = -g*sin(b) + h1 - h2;)
NRXI_DYN_J(DoublePendulum, 4, NRXI_DYN_S4(a, b, p, q) NRXI_DYN_K1(g),
  const double v0 = a - b; const double v1 = sin(v0); const double v2 = (v1*v1); const double v3 = v2 + 1.0;
  const double v4 = 1.0/(v3); const double v5 = v1*v4; const double v6 = q*v5; const double v7 = cos(v0);
  const double v8 = q*v7; const double v9 = 1.0/(v3*v3); const double v10 = 2.0*v1*v7*v9;
  const double v11 = -v10*(p - v8) + v6; const double v12 = v4*v7; const double v13 = -v12;
  const double v14 = p*v5; const double v15 = p*v7; const double v16 = -v10*(2.0*q - v15) + v14;
  const double v17 = 2.0*v4; const double v18 = 2.0*p; const double v19 = 1.0/((2.0*v2 + 2.0));
  const double v20 = 2.0*a - 2.0*b; const double v21 = sin(v20); const double v22 = v19*v21;
  const double v23 = 2.0*v8; const double v24 = (p*p) - p*v23 + 2.0*(q*q);
  const double v25 = p*v4*v8 - 2.0*q*v14*v22 + 1.0*v1*v12*v21*v24/((v2 + 1.0)*(v2 + 1.0))
    + v10*v22*v24 - v17*v19*v24*cos(v20) - v18*v2*v8*v9;
  const double v26 = -v19*v21*v4*(v18 - v23) + v6; const double v27 = v14 - v19*v21*v4*(4.0*q - 2.0*v15);
  J[0] = v11; J[1] = -v11; J[2] = v4; J[3] = v13; J[4] = v16; J[5] = -v16; J[6] = v13; J[7] = v17;
  J[8] = -2.0*g*cos(a) - v25; J[9] = v25; J[10] = -v26; J[11] = -v27; J[12] = v25; J[13] = -g*cos(b) - v25;
  J[14] = v26; J[15] = v27;)
NRXI_DYN_FJ(HarmonicOscillator, 2, (x, v), 1, (omega),
  out[0] = v; out[1] = -omega*omega*x;,
  J[1] = 1.0; J[2] = -(omega*omega);)
NRXI_DYN_FJ(DampedOscillator, 2, (x, v), 1, (gamma),
  out[0] = v; out[1] = -gamma*v - x;,
  J[1] = 1.0; J[2] = -1.0; J[3] = -gamma;)
NRXI_DYN_FJ(Pendulum, 2, (x, v), 0, (),
  out[0] = v; out[1] = -sin(x);,
  J[1] = 1.0; J[2] = -cos(x);)
NRXI_DYN_FJ(LotkaVolterra, 2, (x, y), 4, (a, b, c, d),
  out[0] = x*(a - b*y); out[1] = y*(c*x - d);,
  J[0] = a - b*y; J[1] = -b*x; J[2] = c*y; J[3] = c*x - d;)
NRXI_DYN_FJ(VanDerPol, 2, (x, v), 1, (mu),
  out[0] = v; out[1] = mu*(1.0 - x*x)*v - x;,
  J[1] = 1.0; J[2] = -2.0*mu*v*x - 1.0; J[3] = mu*(1.0 - (x*x));)
NRXI_DYN_FJ(RigidBody, 3, (x, y, z), 3, (a, b, c),
  out[0] = (b - c)/(b*c)*y*z; out[1] = (c - a)/(c*a)*z*x; out[2] = (a - b)/(a*b)*x*y;,
  J[1] = z*(b - c)/(b*c); J[2] = y*(b - c)/(b*c); J[3] = z*(-a + c)/(a*c); J[5] = x*(-a + c)/(a*c);
  J[6] = y*(a - b)/(a*b); J[7] = x*(a - b)/(a*b);)
NRXI_DYN_FJ(Kepler, 4, (x, y, px, py), 0, (),
  out[0] = px; out[1] = py; out[2] = -x/((x*x + y*y)*sqrt(x*x + y*y));
  out[3] = -y/((x*x + y*y)*sqrt(x*x + y*y));,
  J[2] = 1.0; J[7] = 1.0; J[8] = 3.0*(x*x)/pow((x*x) + (y*y), 5.0/2.0) - 1.0/pow((x*x) + (y*y), 3.0/2.0);
  J[9] = 3.0*x*y/pow((x*x) + (y*y), 5.0/2.0); J[12] = 3.0*x*y/pow((x*x) + (y*y), 5.0/2.0);
  J[13] = 3.0*(y*y)/pow((x*x) + (y*y), 5.0/2.0) - 1.0/pow((x*x) + (y*y), 3.0/2.0);)
NRXI_DYN_FJ(Brusselator, 2, (x, y), 2, (a, b),
  out[0] = a + x*x*y - (b + 1.0)*x; out[1] = b*x - x*x*y;,
  J[0] = -b + 2.0*x*y - 1.0; J[1] = (x*x); J[2] = b - 2.0*x*y; J[3] = -(x*x);)
NRXI_DYN_FJ(Robertson, 3, (x, y, z), 3, (k1, k2, k3),
  out[0] = -k1*x + k3*y*z; out[1] = k1*x - k3*y*z - k2*y*y; out[2] = k2*y*y;,
  J[0] = -k1; J[1] = k3*z; J[2] = k3*y; J[3] = k1; J[4] = -2.0*k2*y - k3*z; J[5] = -k3*y; J[7] = 2.0*k2*y;)
NRXI_DYN_FJ(Henon, 2, (x, y), 2, (a, b),
  out[0] = 1.0 - a*x*x + y; out[1] = b*x;,
  J[0] = -2.0*a*x; J[1] = 1.0; J[2] = b;)
NRXI_DYN_FJ(Logistic, 1, (x), 1, (r),
  out[0] = r*x*(1.0 - x);,
  J[0] = -r*x + r*(1.0 - x);)
NRXI_DYN_FJ(Ikeda, 2, (x, y), 1, (u),
  out[0] = 1.0 + u*(x*cos(0.4 - 6.0/(1.0 + x*x + y*y)) - y*sin(0.4 - 6.0/(1.0 + x*x + y*y)));
  out[1] = u*(x*sin(0.4 - 6.0/(1.0 + x*x + y*y)) + y*cos(0.4 - 6.0/(1.0 + x*x + y*y)));,
  const double v0 = (x*x); const double v1 = (y*y); const double v2 = v0 + v1 + 1.0;
  const double v3 = 0.4 - 6.0/v2; const double v4 = cos(v3); const double v5 = 12.0/(v2*v2);
  const double v6 = v5*x*y; const double v7 = v4*v6; const double v8 = sin(v3); const double v9 = v0*v5;
  const double v10 = v6*v8; const double v11 = v1*v5; J[0] = u*(v4 - v7 - v8*v9);
  J[1] = u*(-v10 - v11*v4 - v8); J[2] = u*(-v10 + v4*v9 + v8); J[3] = u*(-v11*v8 + v4 + v7);)
NRXI_DYN_FJ(Lozi, 2, (x, y), 2, (a, b),
  out[0] = 1.0 - a*fabs(x) + y; out[1] = b*x;,
  J[0] = -a*nrxi_dyn_sign(x); J[1] = 1.0; J[2] = b;)
NRXI_DYN_FJ(Chirikov, 2, (x, p), 1, (k),
  out[0] = nrxi_dyn_wrap(x + p + k*sin(x), 6.283185307179586);
  out[1] = nrxi_dyn_wrap(p + k*sin(x), 6.283185307179586);,
  J[0] = k*cos(x) + 1.0; J[1] = 1.0; J[2] = k*cos(x); J[3] = 1.0;)
NRXI_DYN_FJ(CatMap, 2, (x, y), 0, (),
  out[0] = nrxi_dyn_wrap(x + y, 1.0); out[1] = nrxi_dyn_wrap(x + 2.0*y, 1.0);,
  J[0] = 1.0; J[1] = 1.0; J[2] = 1.0; J[3] = 2.0;)
NRXI_DYN_FJ(Tinkerbell, 2, (x, y), 4, (a, b, c, d),
  out[0] = x*x - y*y + a*x + b*y; out[1] = 2.0*x*y + c*x + d*y;,
  J[0] = a + 2.0*x; J[1] = b - 2.0*y; J[2] = c + 2.0*y; J[3] = d + 2.0*x;)
/* Lorenz-96: params {F, n}. */
static const char nrxi_dyn_eq_Lorenz96[] = "out[i] = (x[i+1] - x[i-2])*x[i-1] - x[i] + F;";
static nrx_status nrxi_dyn_f_Lorenz96(void *user, double t, const double *x, double *out)
{
  const double F = ((const double *)user)[0];
  size_t i, n = (size_t)((const double *)user)[1];
  (void)t;
  for (i = 0; i < n; i++) out[i] = (x[i + 1 < n ? i + 1 : 0] - x[i < 2 ? i + n - 2 : i - 2])
      * x[i ? i - 1 : n - 1] - x[i] + F;
  return NRX_OK;
}
static nrx_status nrxi_dyn_j_Lorenz96(void *user, double t, const double *x, double *J)
{
  size_t i, n = (size_t)((const double *)user)[1];
  (void)t;
  memset(J, 0, n * n * sizeof(double));
  for (i = 0; i < n; i++) {
    size_t r = i + 1 < n ? i + 1 : 0, l = i ? i - 1 : n - 1, ll = i < 2 ? i + n - 2 : i - 2;
    J[i * n + r] += x[l];
    J[i * n + ll] -= x[l];
    J[i * n + l] += x[r] - x[ll];
    J[i * n + i] -= 1.0;
  }
  return NRX_OK;
}

static const double nrxi_dyn_values[] = {
  2.667, 28, 10, -9.78693, -15.0385, 20.534, 0.904, 0, -14.6, 0.2, 0.2, 5.7, 6.51344, 0.477201, 0.341643,
  0.0726, 0, -5.4, 1.32, 7.91, 4.83, 4.194, 1.92648, -0.134021, -1.72147, 0.428, 0, -2.67, 1.85, 10,
  2.19944, 2.36342, 3.2202, 0.497, 0, -6.05, 1.4, 4, -8.68074, -2.47414, 0.0707758, 0.681, 0, -4.88, 35, 3,
  28, 3.26897, 5.29905, 19.4353, 2.03, 0, -12, 5, -10, -0.38, 0.171771, 0.103605, 6.25539, 0.142, 0, -5.52,
  36, 3, 18, 10.9565, 9.88131, 22.6767, 0.314, 0, -21.3, 15.6, 28, -1.14286, -0.71429, 1.12624, -0.113865,
  -0.783244, 0.431, -0.000626, -4.23, 2, 9, 2.7, 3, 1.7, 1.02841, -3.53487, -0.720816, 0.371, 0, -10.7, 1,
  -1, 0.1, 0.35, 1.4, -1.16354, -0.509237, 0, 0.131, 0, -0.231, 1.2, 8.53, 0.63, -1.5205, 0.196402,
  687.391, 0, -0.0144, -13.2, 0.7, 0.8, 0.965, 0.400823, 0.08, 0.0436508, -1.21553, -0.0464709, 0, 0, 0,
  -0.877, 1, -0.297073, -0.00313675, 0.425489, 0.0719055, 0, 0, 0, 0, 1.5, -1.97586, 0.246475, 0.790243,
  0.00468, 0, -0.00456, 5, 0.1, 3, 2, 0.4, 0.01, 0.73207, 0.175493, 9.90147, 0.00681, 0, -0.464, 1.1, 0.87,
  -1.82073, 0.834409, 0.207825, 0.19, 0, -0.65, 2, 6.7, 1.92572, 3.19238, 5.78297, 0.192, 0, -3.19, 0.95,
  0.7, 0.6, 3.5, 0.25, 0.1, -0.784502, -0.628877, -0.176203, 0.0961, 0, -0.333, -5.5, 4.5, 1, -1, -2.75157,
  0.190798, 3.47036, 0.207, 0, -1.21, 0.44, 1.1, 1, -0.0537726, -0.261626, 0.335016, 0.102, 0, -0.542, 0.2,
  4, 9, 1, 1.36644, 0.930915, 0.642834, 0.206, 0, -0.368, 1, 1, -0.779156, -0.630224, 2.6712, 0.127, 0,
  -2.13, 0.85, 0.5, 0.0168387, 0.0348938, 0.353468, 0.0355, 0, -1.39, 0.4, 0.175, 0.294308, 0.106495,
  0.290811, 0.143, 0, -0.768, 13, 10, -0.791532, 0.652445, 0.225178, 2.32, 0, -11.3, 10, 4, 9, -3.47333,
  19.667, -3.82625, 0.162, 0, -1.16, 0.001, 0.2, 1.1, -0.516647, -3.95687, 0.00128936, 0.0895, 0, -0.632,
  102, 3, 0, -6.99286, 0.0232543, -0.165818, 0.554, 0, -5.55, 0.2, -0.01, -0.4, -1, -1, 1, -0.547708,
  0.738765, -0.00492845, 0.0639, 0, -1.26, -1, 1, 1, 1, 1, 0.4, 0.3, 1, -2.8976, 3.8878, 3.07465, 0.264, 0,
  -1.26, 1.73205, 1.41421, 1, 147.913, -1762.81, -647.376, 0.0668, 0, -0.0667, 2, 0.7, 26, 1.5, 4.23344,
  9.08971, 21.8666, -1.40807, 0.383, 0, -2.69, -3.39, 0.25, 3, 0.5, 0.05, -93.6677, 15.5078, 0.032087,
  43.7928, 0.113, 0.0218, 0, -25.6, 10, 2.667, 28, 1.1, -9.18607, -0.674457, 16.4405, -145.024, 0.254,
  0.0976, 0, -12.9, 1, 0.55, 0.4, -0.855912, 1.48078, -0.850753, 1.63576, 0.284, 0, 0, -0.284, 1.54132,
  1.4308, -1.52555, 0, 0, 0, 1.68783, 1.48481, -0.537066, 0.21, 0, -1.21, -0.471998, -0.271981, 1.94182,
  0.165, 0, -1.17, -1.33969, -0.212383, 0.329822, 0.101, 0, -1.32, 0.617376, 0.665993, -1.6575, 0.0777, 0,
  -1.08, 0.5, -0.989413, -1.41917, 0.857972, 0.118, 0, -0.618, 0.4, -0.771825, -0.747566, 1.30733, 0.0337,
  0, -0.634, 0.5, -1.36004, 0.625854, -1.27882, 0.116, 0, -0.616, 0.2, -0.0600994, -0.495584, 0.023159,
  0.0128, 0, -1.01, 4.47869, 2.29774, 6.58471, 0.079, 0, -2.08, 0.3, -1.3165, -1.543, 0.664053, 0.0381, 0,
  -0.891, 0.9, 3.9, 4.36116, 13.7056, -2.68357, 0.0612, 0, -1.06, 1.7, 1.60244, -1.59832, -2.62364, 0.0437,
  0, -1.04, -8.32587, 7.30337, 3.27989, 0.0747, 0, -2.07, 2.7, 0.205495, 0.022793, 0.936369, 0.0488, 0,
  -0.319, 2.7, 0.834207, 0.149158, 0.440286, 0.0858, 0, -0.481, 3.1, 0.5, 2.9781, -0.0652607, -2.80313,
  0.11, 0, -0.61, 0.9, 0.4, -1.69149, -1.97837, 1.98078, 0.0615, 0, -1.06, 0.126357, 0.122607, 1.22154,
  0.185, 0, -1.18, 2.017, -0.541061, 0.593832, 0.451272, 0.0552, 0, -2.07, 2.6666666666666665, 28, 10, -8,
  8, 27, 0.9056, 0, -14.5723, 4, 45.92, 16, -8, 8, 27, 1.5014, 0, -22.5015, 0.15, 0.2, 10, 1, 1, 1, 0.0883,
  0, -9.799, 0.18, 1, 0.1, 1.1, 2.1, 0.0352, 0, -0.5752, 1, 0, 5, 0, 0.0154, 0, -0.0154, 1, -1, 0.3, 0.5,
  1.2, 0.5, 0, 0, 0.1055, 0, -0.4055, 1, -1, 0.25, 0.4, 1, 0.5, 0, 0, 0.1578, 0, -0.4078, 1, 0, 0.05, 7.5,
  1, 2.5, 0, 0, 0.1038, 0, -0.1538, 1, 0, -0.15, 0.474605099003371, 0, 0.0319, 0, 0, -0.0319, 1, 0, -0.25,
  0.510310363079829, 0, 0.1316, 0, 0, -0.1316, 0.25, 3, 0.5, 0.05, -20, 0, 0, 15, 0.111, 0.021, 0, -24.8,
  2.017, -0.9, 0, 0.5, 0.0553, 0, -2.0723, 9.81, 2, 2.5, 0, 0, 1.46, 0, 0, -1.46, 1, 1, 0, 0, 0, 0.1, 1, 0,
  -0.05, -0.05, 2, 0, 0, 0, 1, 1, 1, 1, 2, 1, 0, 0, 1, 2, 0, 0, -1.06, 1, 2, 3, 1, 0.3, 0.5, 0, 0, 0, 0.4,
  0, 0, 2, 0, 0, 0, 0, 1, 3, 1.5, 3, 0.04, 30000000, 10000, 1, 0, 0, 8, 5, 8.01, 8, 8, 8, 8, 0.471, 0,
  -0.518, -1.31, -3.642, 1.4, 0.3, 0.1, 0.1, 0.4192, -1.6232, 4, 0.3, 0.6931471805599453, 0.9, 0.1, 0.1,
  0.5077, -0.7184, 1.7, 0.5, 0.1, 0.1, 0.4701, -1.1633, 1, 0.1, 0.1, 0.111, -0.111, 0.1234, 0.5678,
  0.9624236501192069, -0.9624236501192069, 0.9, -0.6013, 2, 0.5, -0.72, -0.64
};

typedef struct nrxi_dyn_entry { /* indices into nrxi_dyn_values; exponents -1 = none */
  const char *name, *equations, *param_names;
  int kind, n, n_params, params, y0, exponents;
  double period;
  nrx_status (*f)(void *user, double t, const double *y, double *dydt);
  nrx_status (*jac)(void *user, double t, const double *y, double *J);
} nrxi_dyn_entry;

#define NRXI_DYN_E(id, ...) NRXI_DYN_E_AS(#id, id, __VA_ARGS__)
#define NRXI_DYN_E_AS(name, id, params, kind, n, np, ip, iy, ie, period) \
  {name, nrxi_dyn_eq_##id, params, kind, n, np, ip, iy, ie, period, nrxi_dyn_f_##id, nrxi_dyn_j_##id}
static const nrxi_dyn_entry nrxi_dyn_entries[] = {
  NRXI_DYN_E(Lorenz, "beta rho sigma", 0, 3, 3, 0, 3, 6, 1.5008),
  NRXI_DYN_E(Rossler, "a b c", 0, 3, 3, 9, 12, 15, 5.9086),
  NRXI_DYN_E(Lorenz84, "a b f g", 0, 3, 4, 18, 22, 25, 6.2586),
  NRXI_DYN_E(Thomas, "a b", 0, 3, 2, 28, 30, 33, 4.969),
  NRXI_DYN_E(Halvorsen, "a b", 0, 3, 2, 36, 38, 41, 1.4889),
  NRXI_DYN_E(Chen, "a b c", 0, 3, 3, 44, 47, 50, 0.58689),
  NRXI_DYN_E(ChenLee, "a b c", 0, 3, 3, 53, 56, 59, 2.8043),
  NRXI_DYN_E(LuChen, "a b c", 0, 3, 3, 62, 65, 68, 2.3385),
  NRXI_DYN_E(Chua, "alpha beta m0 m1", 0, 3, 4, 71, 75, 78, 1.4235),
  NRXI_DYN_E(Dadras, "c e o p r", 0, 3, 5, 81, 86, 89, 3.2886),
  NRXI_DYN_E(Duffing, "alpha beta delta gamma omega", 0, 3, 5, 92, 97, 100, 7.4496),
  NRXI_DYN_E(ForcedVanDerPol, "a mu w", 0, 3, 3, 103, 106, 109, 14.477),
  NRXI_DYN_E(ForcedFitzHughNagumo, "a b curr f gamma omega", 0, 3, 6, 112, 118, 121,
      42.122),
  NRXI_DYN_E(HenonHeiles, "lam", 0, 4, 1, 124, 125, 129, 6.37),
  NRXI_DYN_E(NoseHoover, "a", 0, 3, 1, 133, 134, 137, 5.8673),
  NRXI_DYN_E(HastingsPowell, "a1 a2 b1 b2 d1 d2", 0, 3, 6, 140, 146, 149, 135.19),
  NRXI_DYN_E(RabinovichFabrikant, "a g", 0, 3, 2, 152, 154, 157, 2.3356),
  NRXI_DYN_E(Rucklidge, "a b", 0, 3, 2, 160, 162, 165, 6.0721),
  NRXI_DYN_E(Aizawa, "a b c d e f", 0, 3, 6, 168, 174, 177, 2.5837),
  NRXI_DYN_E(Arneodo, "a b c d", 0, 3, 4, 180, 184, 187, 3.1641),
  NRXI_DYN_E(GenesioTesi, "a b c", 0, 3, 3, 190, 193, 196, 5.9431),
  NRXI_DYN_E(Hadley, "a b f g", 0, 3, 4, 199, 203, 206, 1.4541),
  NRXI_DYN_E(RikitakeDynamo, "a mu", 0, 3, 2, 209, 211, 214, 5.8975),
  NRXI_DYN_E(ShimizuMorioka, "a b", 0, 3, 2, 217, 219, 222, 12.038),
  NRXI_DYN_E(NewtonLeipnik, "a b", 0, 3, 2, 225, 227, 230, 8.5095),
  NRXI_DYN_E(BurkeShaw, "e n", 0, 3, 2, 233, 235, 238, 0.78333),
  NRXI_DYN_E(MooreSpiegel, "a b eps", 0, 3, 3, 241, 244, 247, 1.2887),
  NRXI_DYN_E(Finance, "a b c", 0, 3, 3, 250, 253, 256, 9.8932),
  NRXI_DYN_E(VallisElNino, "b c p", 0, 3, 3, 259, 262, 265, 2.2087),
  NRXI_DYN_E(WangSun, "a b d e f q", 0, 3, 6, 268, 274, 277, 26.958),
  NRXI_DYN_E(Sakarya, "a b c h p q r s", 0, 3, 8, 280, 288, 291, 4.9844),
  NRXI_DYN_E(ArnoldBeltramiChildress, "a b c", 0, 3, 3, 294, 297, 300, 2.8508),
  NRXI_DYN_E(LorenzStenflo, "a b c d", 0, 4, 4, 303, 307, 311, 3.8877),
  NRXI_DYN_E(HyperRossler, "a b c d", 0, 4, 4, 315, 319, 323, 1.1157),
  NRXI_DYN_E(HyperLorenz, "a b c d", 0, 4, 4, 327, 331, 335, 1.2775),
  NRXI_DYN_E(NuclearQuadrupole, "a b d", 0, 4, 3, 339, 342, 346, 6.0231),
  NRXI_DYN_E(SprottA, "", 0, 3, 0, 0, 350, 353, 6.3728),
  NRXI_DYN_E(SprottB, "", 0, 3, 0, 0, 356, 359, 11.05),
  NRXI_DYN_E(SprottC, "", 0, 3, 0, 0, 362, 365, 8.8852),
  NRXI_DYN_E(SprottD, "", 0, 3, 0, 0, 368, 371, 4.8333),
  NRXI_DYN_E(SprottE, "", 0, 3, 0, 0, 374, 377, 7.6275),
  NRXI_DYN_E(SprottF, "a", 0, 3, 1, 380, 381, 384, 19.244),
  NRXI_DYN_E(SprottG, "a", 0, 3, 1, 387, 388, 391, 8.7097),
  NRXI_DYN_E(SprottH, "a", 0, 3, 1, 394, 395, 398, 20.229),
  NRXI_DYN_E(SprottI, "a", 0, 3, 1, 401, 402, 405, 10.93),
  NRXI_DYN_E(SprottJ, "", 0, 3, 0, 0, 408, 411, 4.836),
  NRXI_DYN_E(SprottK, "a", 0, 3, 1, 414, 415, 418, 7.006),
  NRXI_DYN_E(SprottL, "a b", 0, 3, 2, 421, 423, 426, 6.7262),
  NRXI_DYN_E(SprottM, "a", 0, 3, 1, 429, 430, 433, 5.3644),
  NRXI_DYN_E(SprottN, "", 0, 3, 0, 0, 436, 439, 4.8135),
  NRXI_DYN_E(SprottO, "a", 0, 3, 1, 442, 443, 446, 9.755),
  NRXI_DYN_E(SprottP, "a", 0, 3, 1, 449, 450, 453, 5.3414),
  NRXI_DYN_E(SprottQ, "a b", 0, 3, 2, 456, 458, 461, 4.8443),
  NRXI_DYN_E(SprottR, "a b", 0, 3, 2, 464, 466, 469, 7.0133),
  NRXI_DYN_E(SprottS, "", 0, 3, 0, 0, 472, 475, 3.3505),
  NRXI_DYN_E(SprottJerk, "mu", 0, 3, 1, 478, 479, 482, 11.921),
  NRXI_DYN_E_AS("Lorenz63", Lorenz, "beta rho sigma", 0, 3, 3, 485, 488, 491, 0.75),
  NRXI_DYN_E_AS("LorenzWolf", Lorenz, "beta rho sigma", 0, 3, 3, 494, 497, 500, 0.5),
  NRXI_DYN_E_AS("Rossler10", Rossler, "a b c", 0, 3, 3, 503, 506, 509, 6.1),
  NRXI_DYN_E_AS("ThomasSprott", Thomas, "a b", 0, 3, 2, 512, 514, 517, 20.0),
  NRXI_DYN_E_AS("NoseHooverClassic", NoseHoover, "a", 0, 3, 1, 520, 521, 524, 6.3),
  NRXI_DYN_E_AS("DuffingSprott", Duffing, "alpha beta delta gamma omega", 0, 3, 5, 527, 532, 535, 5.236),
  NRXI_DYN_E_AS("DuffingBroad", Duffing, "alpha beta delta gamma omega", 0, 3, 5, 538, 543, 546, 6.283),
  NRXI_DYN_E_AS("Ueda", Duffing, "alpha beta delta gamma omega", 0, 3, 5, 549, 554, 557, 6.283),
  NRXI_DYN_E_AS("HenonHeiles8", HenonHeiles, "lam", 0, 4, 1, 560, 561, 565, 6.28),
  NRXI_DYN_E_AS("HenonHeiles6", HenonHeiles, "lam", 0, 4, 1, 569, 570, 574, 6.28),
  NRXI_DYN_E_AS("HyperRossler79", HyperRossler, "a b c d", 0, 4, 4, 578, 582, 586, 6.0),
  NRXI_DYN_E_AS("SimplestJerk", SprottJerk, "mu", 0, 3, 1, 590, 591, 594, 12.0),
  NRXI_DYN_E(DoublePendulum, "g", 0, 4, 1, 597, 598, 602, 1.5),
  NRXI_DYN_E(HarmonicOscillator, "omega", 0, 2, 1, 606, 607, 609, 6.283185307179586),
  NRXI_DYN_E(DampedOscillator, "gamma", 0, 2, 1, 611, 612, 614, 6.28),
  NRXI_DYN_E(Pendulum, "", 0, 2, 0, 0, 616, 618, 8.35),
  NRXI_DYN_E(LotkaVolterra, "a b c d", 0, 2, 4, 620, 624, 626, 6.6),
  NRXI_DYN_E(VanDerPol, "mu", 0, 2, 1, 628, 629, 631, 6.663),
  NRXI_DYN_E(RigidBody, "a b c", 0, 3, 3, 633, 636, 639, 10.0),
  NRXI_DYN_E(Kepler, "", 0, 4, 0, 0, 642, 646, 6.283185307179586),
  NRXI_DYN_E(Brusselator, "a b", 0, 2, 2, 650, 652, -1, 7.16),
  NRXI_DYN_E(Robertson, "k1 k2 k3", 0, 3, 3, 654, 657, -1, 100000.0),
  NRXI_DYN_E(Lorenz96, "F n", 0, 5, 2, 660, 662, 667, 2.0),
  NRXI_DYN_E(Henon, "a b", 1, 2, 2, 672, 674, 676, 1.0),
  NRXI_DYN_E(Logistic, "r", 1, 1, 1, 678, 679, 680, 1.0),
  NRXI_DYN_E(Ikeda, "u", 1, 2, 1, 681, 682, 684, 1.0),
  NRXI_DYN_E(Lozi, "a b", 1, 2, 2, 686, 688, 690, 1.0),
  NRXI_DYN_E(Chirikov, "k", 1, 2, 1, 692, 693, 695, 1.0),
  NRXI_DYN_E(CatMap, "", 1, 2, 0, 0, 697, 699, 1.0),
  NRXI_DYN_E(Tinkerbell, "a b c d", 1, 2, 4, 701, 705, -1, 1.0)
};

NRX_DEF size_t nrx_dyn_count(void) { return sizeof nrxi_dyn_entries / sizeof nrxi_dyn_entries[0]; }

NRX_DEF nrx_status nrx_dyn_get(size_t index, nrx_dyn_system *out)
{
  const nrxi_dyn_entry *e;
  const double *v = nrxi_dyn_values;
  if (!out || index >= nrx_dyn_count())
    return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_get: index %zu, the catalogue has %zu systems", index,
        nrx_dyn_count());
  e = &nrxi_dyn_entries[index];
  out->name = e->name;
  out->equations = e->equations;
  out->param_names = e->param_names;
  out->kind = e->kind;
  out->n = (size_t)e->n;
  out->n_params = (size_t)e->n_params;
  out->params = v + e->params;
  out->y0 = v + e->y0;
  out->period = e->period;
  out->exponents = e->exponents < 0 ? NULL : v + e->exponents;
  out->field.f = e->f;
  out->field.jac = e->jac;
  memcpy(&out->field.user, &out->params, sizeof(void *)); /* the functions only read their parameters */
  out->field.n = out->n;
  return NRX_OK;
}

/* Next significant character of a name, lower case; 0 at the end. */
static int nrxi_dyn_fold(const char **s)
{
  while (**s == ' ' || **s == '-' || **s == '_') (*s)++;
  if (!**s) return 0;
  {
    char c = *(*s)++;
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
  }
}

NRX_DEF nrx_status nrx_dyn_find(const char *name, nrx_dyn_system *out)
{
  size_t i, near_hit = 0, best = 0;
  if (!name || !out) return nrxi_fail(NULL, NRX_E_ARG,
      "nrx_dyn_find: needs a name and a place for the system");
  for (i = 0; i < nrx_dyn_count(); i++) {
    const char *a = name, *b = nrxi_dyn_entries[i].name;
    size_t same = 0;
    for (;;) {
      int x = nrxi_dyn_fold(&a), y = nrxi_dyn_fold(&b);
      if (x != y) break;
      if (!x) return nrx_dyn_get(i, out);
      same++;
    }
    if (same > best) { best = same; near_hit = i; }
  }
  return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_find: no system \"%s\"; the nearest of %zu names is \"%s\"",
      name, nrx_dyn_count(), nrxi_dyn_entries[near_hit].name);
}

NRX_DEF nrx_status nrx_dyn_lorenz96(double *params, size_t n, double forcing, nrx_vfield *out)
{
  if (!params || !out || n < 4 || n > 1000000 || !nrxi_finite_f64(&forcing))
    return nrxi_fail(NULL, NRX_E_ARG,
        "nrx_dyn_lorenz96: needs params [2], 4 <= n <= 10^6 and a finite forcing");
  params[0] = forcing;
  params[1] = (double)n;
  out->f = nrxi_dyn_f_Lorenz96;
  out->jac = nrxi_dyn_j_Lorenz96;
  out->user = params;
  out->n = n;
  return NRX_OK;
}

static nrx_status nrxi_dyn_mg(void *user, double t, const double *y, const double *lag, double *dydt)
{
  const double *p = (const double *)user;
  (void)t;
  dydt[0] = p[0] * lag[0] / (1.0 + pow(fabs(lag[0]), p[2])) - p[1] * y[0];
  return NRX_OK;
}

NRX_DEF nrx_status nrx_dyn_mackey_glass(const double *params, nrx_dyn_delay *out)
{
  if (!params || !out) return nrxi_fail(NULL, NRX_E_ARG,
      "nrx_dyn_mackey_glass: needs params {beta, gamma, p, tau}");
  memset(out, 0, sizeof *out);
  out->f = nrxi_dyn_mg;
  memcpy(&out->user, &params, sizeof(void *));
  out->n = 1;
  out->n_delays = 1;
  out->tau = params + 3;
  return NRX_OK;
}

NRX_DEF nrx_status nrx_dyn_check_jacobian(const nrx_vfield *f, double t, const double *y, double *error)
{
  size_t i, j, n;
  double *m, *J, *D, *a, *b, *w, big = 0, worst = 0;
  nrx_status st = NRX_OK;
  if (!f || !f->f || !f->jac || f->n == 0 || !y || !error || f->n > 30000)
    return nrxi_fail(NULL, NRX_E_ARG,
        "nrx_dyn_check_jacobian: needs a field with a Jacobian, a state and a place for the error");
  n = f->n;
  m = (double *)nrxi_alloc(NULL, 2 * n * n + 3 * n, sizeof(double));
  if (!m) return nrxi_dyn_oom(NULL, "nrx_dyn_check_jacobian");
  J = m; D = J + n * n; a = D + n * n; b = a + n; w = b + n;
  st = f->jac(f->user, t, y, J);
  memcpy(w, y, n * sizeof(double));
  for (j = 0; st == NRX_OK && j < n; j++) {
    double h = 6e-6 * nrxi_dyn_max(1.0, fabs(y[j]));
    w[j] = y[j] + h;
    st = f->f(f->user, t, w, a);
    w[j] = y[j] - h;
    if (st == NRX_OK) st = f->f(f->user, t, w, b);
    w[j] = y[j];
    for (i = 0; i < n; i++) D[i * n + j] = (a[i] - b[i]) / (2 * h);
  }
  for (i = 0; i < n * n; i++) {
    big = nrxi_dyn_max(big, fabs(J[i]));
    worst = nrxi_dyn_max(worst, fabs(J[i] - D[i]));
  }
  *error = worst / nrxi_dyn_max(big, 1.0);
  nrxi_free(NULL, m);
  return st;
}

/* ======================================== measures of chaos ================ */

NRX_DEF double nrx_dyn_slope(size_t n, const double *x, const double *y, double *intercept)
{
  double mx = 0, my = 0, sxx = 0, sxy = 0;
  size_t i;
  for (i = 0; i < n; i++) { mx += x[i] / (double)n; my += y[i] / (double)n; }
  for (i = 0; i < n; i++) { sxx += (x[i] - mx) * (x[i] - mx); sxy += (x[i] - mx) * (y[i] - my); }
  if (sxx > 0) sxy /= sxx;
  else sxy = 0;
  if (intercept) *intercept = my - sxy * mx;
  return sxy;
}

/* Heap sort, ascending. */
#define NRXI_DYN_SORT(name, type) \
  static void name(size_t n, type *x) \
  { \
    size_t root, child, end = n, first = n / 2; \
    while (end > 1) { \
      type v; \
      if (first > 0) v = x[--first]; \
      else { v = x[--end]; x[end] = x[0]; } \
      for (root = first; (child = 2 * root + 1) < end; root = child) { \
        if (child + 1 < end && x[child + 1] > x[child]) child++; \
        if (!(x[child] > v)) break; \
        x[root] = x[child]; \
      } \
      x[root] = v; \
    } \
  }
NRXI_DYN_SORT(nrxi_dyn_sort, double)
NRXI_DYN_SORT(nrxi_dyn_sort_u64, uint64_t)

/* Orthonormalises the columns of Q [n][k] by modified Gram-Schmidt, twice; R's diagonal to r [k], all of it
 * to R [k][k] if given. */
static int nrxi_dyn_orthonormalise(size_t n, size_t k, double *Q, double *r, double *R)
{
  size_t i, j, l;
  int pass;
  if (R) memset(R, 0, k * k * sizeof(double));
  for (j = 0; j < k; j++) {
    double norm = 0.0;
    for (pass = 0; pass < 2; pass++)
      for (l = 0; l < j; l++) {
        double dot = 0.0;
        for (i = 0; i < n; i++) dot += Q[i * k + l] * Q[i * k + j];
        for (i = 0; i < n; i++) Q[i * k + j] -= dot * Q[i * k + l];
        if (R) R[l * k + j] += dot;
      }
    for (i = 0; i < n; i++) norm += Q[i * k + j] * Q[i * k + j];
    norm = sqrt(norm);
    if (!nrxi_finite_f64(&norm) || !(norm > 0.0)) return 0;
    for (i = 0; i < n; i++) Q[i * k + j] /= norm;
    r[j] = norm;
    if (R) R[j * k + j] = norm;
  }
  return 1;
}

NRX_DEF double nrx_dyn_kaplan_yorke(size_t n, const double *exponents)
{
  double sum = 0.0, next;
  size_t j, i, rank;
  for (j = 0; j < n; j++) { /* the j-th largest, by counting: spectra are short */
    next = 0.0;
    for (i = 0; i < n; i++) {
      size_t l;
      for (rank = 0, l = 0; l < n; l++)
        if (exponents[l] > exponents[i] || (!(exponents[l] < exponents[i]) && l < i)) rank++;
      if (rank == j) { next = exponents[i]; break; }
    }
    if (sum + next < 0.0) return j == 0 ? 0.0 : (double)j + sum / -next;
    sum += next;
  }
  return (double)n;
}

/* Advances (y, Q) by one QR interval: flows by the stepper, maps by one Jacobian product. */
typedef struct nrxi_dyn_flowq {
  nrx_dyn_tangent tangent;
  nrx_vfield field;
  nrx_dyn_solver *solver;
  int kind;
  size_t n, k;
  double *state, *next, *J, t;
} nrxi_dyn_flowq;

static nrx_status nrxi_dyn_flowq_init(nrxi_dyn_flowq *q, const nrx_vfield *f, int kind, size_t k,
    const double *y0, double *mem)
{
  size_t i, n = f->n;
  memset(q, 0, sizeof *q);
  q->kind = kind;
  q->n = n;
  q->k = k;
  q->state = mem;
  q->next = mem + n * (k + 1);
  q->tangent.f = *f;
  q->tangent.k = k;
  q->J = q->tangent.buf = q->next + n * (k + 1);
  memcpy(q->state, y0, n * sizeof(double));
  memset(q->state + n, 0, n * k * sizeof(double));
  for (i = 0; i < k; i++) q->state[n + i * k + i] = 1.0;
  return nrx_dyn_tangent_field(&q->tangent, &q->field);
}
static size_t nrxi_dyn_flowq_size(size_t n, size_t k) { return 2 * n * (k + 1) + n * n + 4 * n; }

static nrx_status nrxi_dyn_flowq_advance(nrxi_dyn_flowq *q, double dt, const nrx_dyn_solve_desc *d)
{
  nrx_status st;
  size_t n = q->n, k = q->k, i, j, l;
  if (q->kind == NRX_DYN_MAP) {
    const nrx_vfield *f = &q->tangent.f;
    if (f->jac) {
      if ((st = f->jac(f->user, q->t, q->state, q->J)) != NRX_OK) return st;
      if ((st = f->f(f->user, q->t, q->state, q->next)) != NRX_OK) return st;
      for (i = 0; i < n; i++)
        for (l = 0; l < k; l++) {
          double v = 0.0;
          for (j = 0; j < n; j++) v += q->J[i * n + j] * q->state[n + j * k + l];
          q->next[n + i * k + l] = v;
        }
    } else if ((st = q->field.f(q->field.user, q->t, q->state, q->next)) != NRX_OK) return st;
    memcpy(q->state, q->next, n * (k + 1) * sizeof(double));
    q->t += 1.0;
    return nrxi_all_finite(q->state, n, NRX_F64) ? NRX_OK : NRX_E_NUMERIC;
  }
  if (!q->solver) {
    st = nrx_dyn_solver_create(&q->field, q->t, q->state, q->t + dt, d, &q->solver);
    if (st != NRX_OK) return st;
  } else {
    nrx_dyn_solver *s = q->solver;
    memcpy(s->y, q->state, n * (k + 1) * sizeof(double));
    st = nrxi_dyn_eval(s, s->t, s->y, s->k[0]); /* Q was rotated */
    if (st != NRX_OK) return st;
    s->tend = q->t + dt;
  }
  while (q->solver->t < q->solver->tend)
    if ((st = nrx_dyn_solver_step(q->solver)) != NRX_OK) return st;
  q->t = q->solver->t;
  memcpy(q->state, q->solver->y, n * (k + 1) * sizeof(double));
  return nrxi_all_finite(q->state, n * (k + 1), NRX_F64) ? NRX_OK : NRX_E_NUMERIC;
}

typedef struct nrxi_dyn_lyap_job {
  const nrx_vfield *f;
  const double *y0;
  const nrx_dyn_lyapunov_desc *d;
  size_t k, blocks, per_block, intervals_transient;
  double dt, *block, *divergence; /* block [trajectories][blocks][k], divergence [trajectories] */
  nrx_status *status;
  int cancelled;
} nrxi_dyn_lyap_job;

static void nrxi_dyn_lyap_run(void *arg, size_t traj)
{
  nrxi_dyn_lyap_job *w = (nrxi_dyn_lyap_job *)arg;
  size_t n = w->f->n, k = w->k, i, b, row = 0;
  nrxi_dyn_flowq q;
  nrx_dyn_solve_desc d = NRX_ZERO;
  double *mem = (double *)nrxi_alloc(&w->d->env, nrxi_dyn_flowq_size(n, k) + 2 * k, sizeof(double)), *r,
      *total, trace = 0;
  nrx_status st = NRX_OK;
  nrx_rng rng;
  if (!mem) { w->status[traj] = NRX_E_NOMEM; return; }
  r = mem + nrxi_dyn_flowq_size(n, k);
  total = r + k;
  memset(total, 0, k * sizeof(double));
  d.method = NRX_DYN_DOP853;
  d.rtol = w->d->rtol > 0 ? w->d->rtol : 1e-9;
  d.atol = w->d->atol > 0 ? w->d->atol : 1e-9;
  d.env = w->d->env;
  (void)nrxi_dyn_flowq_init(&q, w->f, w->d->kind, k, w->y0, mem);
  nrx_rng_seed(&rng, w->d->seed, traj);
  for (i = 0; traj > 0 && i < n; i++) q.state[i] += 1e-3 * (1e-3 + fabs(q.state[i])) * nrx_rng_normal(&rng);
  for (i = 0; i < w->intervals_transient && st == NRX_OK; i++) {
    st = nrxi_dyn_flowq_advance(&q, w->dt, &d);
    if (st == NRX_OK && !nrxi_dyn_orthonormalise(n, k, q.state + n, r, NULL)) st = NRX_E_NUMERIC;
  }
  for (b = 0; b < w->blocks && st == NRX_OK; b++) {
    double *sum = w->block + (traj * w->blocks + b) * k;
    for (i = 0; i < w->per_block && st == NRX_OK; i++) {
      size_t j, done = b * w->per_block + i + 1;
      st = nrxi_dyn_flowq_advance(&q, w->dt, &d);
      if (st == NRX_OK && !nrxi_dyn_orthonormalise(n, k, q.state + n, r, NULL)) st = NRX_E_NUMERIC;
      if (st != NRX_OK) break;
      for (j = 0; j < k; j++) { sum[j] += log(r[j]) / w->dt; total[j] += log(r[j]) / w->dt; }
      if (w->f->jac && w->d->kind == NRX_DYN_FLOW && w->f->jac(w->f->user, q.t, q.state, q.J) == NRX_OK)
        for (j = 0; j < n; j++) trace += q.J[j * n + j];
      else for (j = 0; j < k; j++) trace += log(r[j]) / w->dt;
      while (traj == 0 && w->d->running && row < w->d->running_rows
                   && done * w->d->running_rows >= (row + 1) * w->blocks * w->per_block) {
        for (j = 0; j < k; j++) w->d->running[row * k + j] = total[j] / (double)done;
        row++;
      }
    }
    if (traj == 0 && nrxi_progress(&w->d->env, b + 1, w->blocks, total[0] / (double)((b + 1) * w->per_block)))
      st = NRX_E_CANCELLED;
    {
      size_t j;
      for (j = 0; j < k; j++) sum[j] /= (double)w->per_block;
    }
  }
  w->divergence[traj] = trace / (double)(w->blocks * w->per_block);
  w->status[traj] = st;
  nrx_dyn_solver_free(q.solver);
  nrxi_free(&w->d->env, mem);
}

NRX_DEF nrx_status nrx_dyn_lyapunov(const nrx_vfield *f, const double *y0, const nrx_dyn_lyapunov_desc *desc,
    double *exponents, double *errors, nrx_dyn_lyapunov_info *info)
{
  nrx_dyn_lyapunov_desc d = NRX_ZERO;
  nrxi_dyn_lyap_job w;
  size_t n, i, j, count, total;
  double per, transient;
  nrx_status st = NRX_OK;
  if (desc) d = *desc;
  if (info) memset(info, 0, sizeof *info);
  if (!f || !f->f || f->n == 0 || !y0 || !exponents || d.k > (f ? f->n : 0) || d.time < 0 || d.interval < 0
      || d.transient < 0 || !nrxi_finite_f64(&d.time) || !nrxi_finite_f64(&d.interval)
      || !nrxi_finite_f64(&d.transient) || (d.kind != NRX_DYN_FLOW && d.kind != NRX_DYN_MAP))
    return nrxi_fail(&d.env, NRX_E_ARG,
        "nrx_dyn_lyapunov: needs a field, a state, room for the exponents, k <= n and finite times");
  n = f->n;
  if (!nrxi_all_finite(y0, n, NRX_F64))
    return nrxi_fail(&d.env, NRX_E_NUMERIC, "nrx_dyn_lyapunov: the initial state is not finite");
  memset(&w, 0, sizeof w);
  w.f = f;
  w.y0 = y0;
  w.d = &d;
  w.k = d.k ? d.k : n;
  if (d.trajectories == 0) d.trajectories = 1;
  if (d.blocks == 0) d.blocks = 20;
  if (d.time == 0) d.time = 1000;
  per = d.time / (double)d.trajectories;
  transient = d.transient > 0 ? d.transient : 0.1 * per;
  if (!nrxi_mul_ok(d.trajectories, d.blocks, &count) || !nrxi_mul_ok(count, w.k, &total) || n > 10000)
    return nrxi_fail(&d.env, NRX_E_RANGE, "nrx_dyn_lyapunov: sizes overflow");
  w.block = (double *)nrxi_calloc(&d.env, total + d.trajectories, sizeof(double));
  w.status = (nrx_status *)nrxi_calloc(&d.env, d.trajectories, sizeof(nrx_status));
  if (!w.block || !w.status) { st = nrxi_dyn_oom(&d.env, "nrx_dyn_lyapunov"); goto done; }
  w.divergence = w.block + total;
  w.dt = d.kind == NRX_DYN_MAP ? 1.0 : d.interval;
  if (w.dt == 0) { /* growth of about e^4 between QRs: interval 4 / mean |J|, from a short run */
    double *mem = (double *)nrxi_alloc(&d.env, 2 * n * n + 8 * n, sizeof(double)), norm = 0, t[2];
    if (!mem) { st = nrxi_dyn_oom(&d.env, "nrx_dyn_lyapunov"); goto done; }
    st = f->f(f->user, 0.0, y0, mem + n * n);
    if (st == NRX_OK) st = nrxi_dyn_jacobian(f, 0.0, y0, mem + n * n, mem + n * n + n, mem + n * n + 2 * n,
        mem);
    for (i = 0; i < n * n; i++) norm += mem[i] * mem[i];
    t[0] = 0;
    t[1] = 1.0 / (1e-6 + sqrt(norm));
    for (j = 0; j < 8 && st == NRX_OK; j++) { /* look again along the orbit */
      double *two = mem + n * n + 3 * n, sum = 0;
      nrx_dyn_solve_desc sd = NRX_ZERO;
      sd.env = d.env;
      memcpy(mem + n * n + 5 * n, j ? two + n : y0, n * sizeof(double));
      st = nrx_dyn_solve(f, mem + n * n + 5 * n, 2, t, two, &sd, NULL);
      if (st == NRX_OK) st = f->f(f->user, 0.0, two + n, mem + n * n);
      if (st == NRX_OK) st = nrxi_dyn_jacobian(f, 0.0, two + n, mem + n * n, mem + n * n + n,
          mem + n * n + 2 * n, mem);
      for (i = 0; i < n * n; i++) sum += mem[i] * mem[i];
      norm = nrxi_dyn_max(norm, sum);
    }
    nrxi_free(&d.env, mem);
    if (st != NRX_OK) { st = nrxi_fail(&d.env, st,
        "nrx_dyn_lyapunov: the field cannot be followed from the initial state"); goto done; }
    w.dt = 4.0 / (1e-6 + sqrt(norm));
  }
  w.blocks = d.blocks;
  w.per_block = (size_t)ceil(per / w.dt / (double)d.blocks - 1e-9);
  if (w.per_block == 0) w.per_block = 1;
  w.intervals_transient = (size_t)ceil(transient / w.dt);
  nrxi_parallel(&d.env, d.trajectories, nrxi_dyn_lyap_run, &w);
  for (i = 0; i < d.trajectories; i++)
    if (w.status[i] != NRX_OK) {
      st = nrxi_fail(&d.env, w.status[i], "nrx_dyn_lyapunov: trajectory %zu failed (%s)", i,
          nrx_status_string(w.status[i]));
      goto done;
    }
  for (j = 0; j < w.k; j++) {
    double mean = 0, var = 0;
    for (i = 0; i < count; i++) mean += w.block[i * w.k + j];
    mean /= (double)count;
    for (i = 0; i < count; i++) var += (w.block[i * w.k + j] - mean) * (w.block[i * w.k + j] - mean);
    exponents[j] = mean;
    if (errors) errors[j] = count > 1 ? sqrt(var / (double)(count - 1) / (double)count) : 0.0;
  }
  if (info) {
    info->time = (double)(w.per_block * count) * w.dt;
    info->intervals = w.per_block * count;
    for (j = 0; j < w.k; j++) info->sum += exponents[j];
    for (i = 0; i < d.trajectories; i++) info->divergence += w.divergence[i] / (double)d.trajectories;
  }
  for (j = 1; j < w.k; j++) { /* descending, with their errors: near-equal exponents may come out swapped */
    double v = exponents[j], e = errors ? errors[j] : 0.0;
    for (i = j; i > 0 && exponents[i - 1] < v; i--) {
      exponents[i] = exponents[i - 1];
      if (errors) errors[i] = errors[i - 1];
    }
    exponents[i] = v;
    if (errors) errors[i] = e;
  }
  if (info) {
    for (j = 0; j < w.k; j++) info->entropy += exponents[j] > 0 ? exponents[j] : 0.0;
    info->kaplan_yorke = w.k == n ? nrx_dyn_kaplan_yorke(n, exponents) : 0.0;
  }
done:
  nrxi_free(&d.env, w.block);
  nrxi_free(&d.env, w.status);
  return st;
}

NRX_DEF nrx_status nrx_dyn_covariant(const nrx_vfield *f, int kind, const double *y0, double dt,
    size_t before, size_t count, size_t after, double *vectors, double *states, double *exponents,
    const nrx_env *env)
{
  size_t n, i, j, l, m, size, step, total = count + after;
  double *mem, *Rs, *r, *C, *growth;
  nrxi_dyn_flowq q;
  nrx_dyn_solve_desc d = NRX_ZERO;
  nrx_status st = NRX_OK;
  if (!f || !f->f || f->n == 0 || !y0 || count == 0 || !vectors || !(dt > 0))
    return nrxi_fail(env, NRX_E_ARG,
        "nrx_dyn_covariant: needs a field, a state, dt > 0, count > 0 and an array");
  n = f->n;
  if (n > 3000 || !nrxi_mul_ok(total, n * n, &size)
      || !nrxi_add_ok(size, nrxi_dyn_flowq_size(n, n) + n * n + 2 * n, &size))
    return nrxi_fail(env, NRX_E_RANGE, "nrx_dyn_covariant: sizes overflow");
  mem = (double *)nrxi_alloc(env, size, sizeof(double));
  if (!mem) return nrxi_dyn_oom(env, "nrx_dyn_covariant");
  Rs = mem + nrxi_dyn_flowq_size(n, n);
  r = Rs + total * n * n;
  growth = r + n;
  C = growth + n;
  d.method = NRX_DYN_DOP853;
  d.rtol = d.atol = 1e-9;
  if (env) d.env = *env;
  (void)nrxi_dyn_flowq_init(&q, f, kind, n, y0, mem);
  for (step = 0; step < before + total && st == NRX_OK; step++) {
    double *R = step >= before ? Rs + (step - before) * n * n : NULL;
    if (step >= before && step - before < count) {
      memcpy(vectors + (step - before) * n * n, q.state + n, n * n * sizeof(double));
      if (states) memcpy(states + (step - before) * n, q.state, n * sizeof(double));
    }
    st = nrxi_dyn_flowq_advance(&q, dt, &d);
    if (st == NRX_OK && !nrxi_dyn_orthonormalise(n, n, q.state + n, r, R)) st = NRX_E_NUMERIC;
  }
  memset(C, 0, n * n * sizeof(double));
  memset(growth, 0, n * sizeof(double));
  for (i = 0; i < n; i++) for (j = i; j < n; j++) C[i * n + j] = 1.0 / (1.0 + (double)(j - i));
  for (step = total; st == NRX_OK && step-- > 0;) { /* C_{step} = R^{-1} C_{step+1}, columns renormalised */
    const double *R = Rs + step * n * n;
    for (j = 0; j < n; j++) {
      double norm = 0.0;
      for (i = j + 1; i-- > 0;) {
        double v = C[i * n + j];
        for (l = i + 1; l <= j; l++) v -= R[i * n + l] * C[l * n + j];
        C[i * n + j] = v / R[i * n + i];
      }
      for (i = 0; i <= j; i++) norm += C[i * n + j] * C[i * n + j];
      norm = sqrt(norm);
      for (i = 0; i <= j; i++) C[i * n + j] /= norm;
      if (step < count) growth[j] -= log(norm) / ((double)count * dt);
    }
    if (step < count) { /* V = Q C, column by column in place: row i of Q times C */
      double *V = vectors + step * n * n;
      for (i = 0; i < n; i++) {
        for (j = n; j-- > 0;) {
          double v = 0.0;
          for (m = 0; m <= j; m++) v += V[i * n + m] * C[m * n + j];
          r[j] = v;
        }
        memcpy(V + i * n, r, n * sizeof(double));
      }
    }
  }
  if (st == NRX_OK && exponents) memcpy(exponents, growth, n * sizeof(double));
  if (st != NRX_OK) (void)nrxi_fail(env, st, "nrx_dyn_covariant: the orbit could not be followed");
  nrx_dyn_solver_free(q.solver);
  nrxi_free(env, mem);
  return st;
}

NRX_DEF double nrx_dyn_splitting_angle(size_t n, size_t k, const double *V)
{
  double *mem, *A, *B, *r, *M, s = 0.0;
  size_t i, j, l, m = n - k;
  if (!V || n == 0 || k == 0 || k >= n) return 0.0;
  mem = (double *)nrxi_alloc(NULL, 2 * n * n + 4 * n + nrxi_dyn_svd_work(k, m), sizeof(double));
  if (!mem) return 0.0;
  A = mem; B = A + n * k; r = B + n * m; M = r + n;
  for (i = 0; i < n; i++) {
    for (j = 0; j < k; j++) A[i * k + j] = V[i * n + j];
    for (j = 0; j < m; j++) B[i * m + j] = V[i * n + k + j];
  }
  if (nrxi_dyn_orthonormalise(n, k, A, r, NULL) && nrxi_dyn_orthonormalise(n, m, B, r, NULL)) {
    for (j = 0; j < k; j++)
      for (l = 0; l < m; l++) {
        double v = 0.0;
        for (i = 0; i < n; i++) v += A[i * k + j] * B[i * m + l];
        M[j * m + l] = v;
      }
    if (nrxi_dyn_svd(k, m, M, r, NULL, NULL, M + k * m) == NRX_OK) s = acos(nrxi_dyn_min(1.0, r[0]));
  }
  nrxi_free(NULL, mem);
  return s;
}

/* -- from data -- */

static double nrxi_dyn_dist2(size_t d, const double *a, const double *b)
{
  double s = 0.0;
  size_t i;
  for (i = 0; i < d; i++) s += (a[i] - b[i]) * (a[i] - b[i]);
  return s;
}

NRX_DEF nrx_status nrx_dyn_embed(size_t n, const double *x, size_t m, size_t lag, double *out)
{
  size_t i, j, span;
  if (!x || !out || m == 0 || lag == 0 || !nrxi_mul_ok(m - 1, lag, &span) || span >= n)
    return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_embed: %zu samples are too short for m = %zu, lag = %zu", n, m,
        lag);
  for (i = 0; i + span < n; i++)
    for (j = 0; j < m; j++) out[i * m + j] = x[i + j * lag];
  return NRX_OK;
}

NRX_DEF nrx_status nrx_dyn_divergence(size_t n, const double *x, size_t m, size_t lag, size_t theiler,
    double eps, size_t kmax, double *S)
{
  size_t span, rows, i, j, k, used;
  double *E, *sum, e2 = eps * eps;
  size_t *hits;
  if (!x || !S || m == 0 || lag == 0 || !nrxi_mul_ok(m - 1, lag, &span) || span >= n || n - span < kmax
      + theiler + 3 || eps < 0 || !nrxi_all_finite(x, n, NRX_F64))
    return nrxi_fail(NULL, NRX_E_ARG,
        "nrx_dyn_divergence: %zu finite samples do not allow m = %zu, lag = %zu, theiler = %zu, kmax = %zu",
                         n, m, lag, theiler, kmax);
  rows = n - span;
  E = rows <= (size_t)-1 / m ? (double *)nrxi_alloc(NULL, rows * m, sizeof(double)) : NULL;
  sum = (double *)nrxi_calloc(NULL, 2 * (kmax + 1), sizeof(double));
  hits = (size_t *)nrxi_calloc(NULL, kmax + 1, sizeof(size_t));
  if (!E || !sum || !hits) {
    nrxi_free(NULL, E); nrxi_free(NULL, sum); nrxi_free(NULL, hits);
    return nrxi_dyn_oom(NULL, "nrx_dyn_divergence");
  }
  (void)nrx_dyn_embed(n, x, m, lag, E);
  used = rows - kmax;
  for (i = 0; i < used; i++) {
    size_t best = used, near_count = 0;
    double least = HUGE_VAL, *local = sum + kmax + 1;
    if (eps > 0) memset(local, 0, (kmax + 1) * sizeof(double));
    for (j = 0; j < used; j++) {
      double d2 = 0.0;
      size_t gap = i > j ? i - j : j - i;
      if (gap <= theiler) continue;
      for (k = 0; k < m; k++) {
        double v = E[i * m + k] - E[j * m + k];
        d2 += v * v;
        if (d2 >= least) break;
      }
      if (eps > 0) {
        if (d2 < e2 && k == m) {
          near_count++;
          for (k = 0; k <= kmax; k++) local[k] += fabs(x[i + k + span] - x[j + k + span]);
        }
      } else if (d2 < least && d2 > 0) { least = d2; best = j; }
    }
    for (k = 0; k <= kmax; k++) {
      double v = eps > 0 ? (near_count ? local[k] / (double)near_count : 0.0)
            : best < used ? sqrt(nrxi_dyn_dist2(m, E + (i + k) * m, E + (best + k) * m))
            : 0.0;
      if (v > 0) { sum[k] += log(v); hits[k]++; }
    }
  }
  for (k = 0; k <= kmax; k++) S[k] = hits[k] ? sum[k] / (double)hits[k] : 0.0;
  i = hits[0];
  nrxi_free(NULL, E); nrxi_free(NULL, sum); nrxi_free(NULL, hits);
  return i ? NRX_OK : nrxi_fail(NULL, NRX_E_NUMERIC,
      "nrx_dyn_divergence: no pair of neighbours (constant data, or eps too small)");
}

NRX_DEF nrx_status nrx_dyn_correlation_sum(size_t n, size_t d, const double *x, size_t theiler, size_t nr,
    const double *r, double *C)
{
  size_t i, j, k;
  double pairs = 0;
  if (!x || !r || !C || n < theiler + 3 || d == 0 || nr == 0)
    return nrxi_fail(NULL, NRX_E_ARG,
        "nrx_dyn_correlation_sum: needs more than theiler + 2 points and radii");
  for (k = 0; k < nr; k++) {
    C[k] = 0.0;
    if (!(r[k] > (k ? r[k - 1] : 0.0)))
      return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_correlation_sum: radii must be positive and increase");
  }
  for (i = 0; i < n; i++)
    for (j = i + theiler + 1; j < n; j++) {
      double d2 = nrxi_dyn_dist2(d, x + i * d, x + j * d);
      size_t lo = 0, hi = nr;
      pairs += 1.0;
      if (!(d2 < r[nr - 1] * r[nr - 1])) continue;
      while (lo < hi) { /* first radius above the distance */
        size_t mid = (lo + hi) / 2;
        if (d2 < r[mid] * r[mid]) hi = mid;
        else lo = mid + 1;
      }
      C[lo] += 1.0;
    }
  for (k = 0; k < nr; k++) C[k] = (k ? C[k - 1] : 0.0) + C[k] / pairs;
  return NRX_OK;
}

/* Cells over at most three axes, sorted with the last axis fastest, where three neighbours are one run. A key
 * holds `bits` for each axis, for cells 1 .. 2^bits - 2, and the sample's number. */
#define NRXI_DYN_HALF (0.5 * 0.69314718055994530942) /* half an octave */
enum { NRXI_DYN_BLOCKS = 16, NRXI_DYN_HALVES = 5, NRXI_DYN_SLOPES = 48, NRXI_DYN_FEWEST = 8 };
typedef struct nrxi_dyn_grid {
  size_t n, d, axes, axis[3], bits, cells;
  double lo[3], extent[3];
  uint64_t *key;                  /* sorted; then the cells' keys */
  size_t *start, *time;           /* [cells + 1], [n] sample numbers in order of cells */
  double *z;                      /* [n][d] in that order */
} nrxi_dyn_grid;

static void nrxi_dyn_grid_fill(nrxi_dyn_grid *g, const double *x, double R)
{
  size_t i, j, shift = 64 - g->axes * g->bits;
  double cells = (double)(((uint64_t)1 << g->bits) - 2);
  for (i = 0; i < g->n; i++) {
    uint64_t v = 0;
    for (j = 0; j < g->axes; j++) {
      double side = nrxi_dyn_max(R, g->extent[j] / cells * 1.000001);
      v = v << g->bits | (1 + (uint64_t)((x[i * g->d + g->axis[j]] - g->lo[j]) / side));
    }
    g->key[i] = v << shift | i;
  }
  nrxi_dyn_sort_u64(g->n, g->key);
  for (g->cells = 0, i = 0; i < g->n; i++) {
    uint64_t v = g->key[i] >> shift;
    g->time[i] = (size_t)(g->key[i] & (((uint64_t)1 << shift) - 1));
    memcpy(g->z + i * g->d, x + g->time[i] * g->d, g->d * sizeof(double));
    if (i == 0 || v != g->key[g->cells - 1]) { g->key[g->cells] = v; g->start[g->cells++] = i; }
  }
  g->start[g->cells] = g->n;
}

/* Points [*from, *to) of the run of cells in row `row` of 3^(axes - 1) around cell c. */
static void nrxi_dyn_grid_run(const nrxi_dyn_grid *g, size_t c, size_t row, size_t *from, size_t *to)
{
  uint64_t v = g->key[c], one = 1;
  size_t j, end[2], k;
  for (j = 1; j < g->axes; j++, row /= 3) v = v + ((uint64_t)(row % 3) << j * g->bits) - (one << j * g->bits);
  for (k = 0; k < 2; k++) { /* first cell at or above v - 1, first above v + 1 */
    size_t lo = 0, hi = g->cells;
    uint64_t want = k ? v + 2 : v - 1;
    while (lo < hi) {
      size_t mid = (lo + hi) / 2;
      if (g->key[mid] < want) lo = mid + 1;
      else hi = mid;
    }
    end[k] = lo;
  }
  *from = g->start[end[0]]; *to = g->start[end[1]];
}

/* Pairs by blocks of time [16][16] and half octave below R [5], the last for the rest. */
static void nrxi_dyn_grid_count(const nrxi_dyn_grid *g, double R, size_t theiler, double budget,
    double *count)
{
  size_t rows = g->axes < 3 ? 2 * g->axes - 1 : 9, c, row, i, j, k, from, to, gap, stride, d = g->d;
  size_t block = (g->n + NRXI_DYN_BLOCKS - 1) / NRXI_DYN_BLOCKS;
  double work = 0, scale = 1 / (R * R);
  for (c = 0; c < g->cells; c++)
    for (row = 0; row < rows; row++) {
      nrxi_dyn_grid_run(g, c, row, &from, &to);
      work += (double)(to - from) * (double)(g->start[c + 1] - g->start[c]);
    }
  stride = 1 + (size_t)(work / budget);
  memset(count, 0, NRXI_DYN_BLOCKS * NRXI_DYN_BLOCKS * NRXI_DYN_HALVES * sizeof(double));
  for (c = 0; c < g->cells; c++) {
    size_t first = (g->start[c] + stride - 1) / stride * stride;
    for (row = 0; first < g->start[c + 1] && row < rows; row++) {
      nrxi_dyn_grid_run(g, c, row, &from, &to);
      for (i = first; i < g->start[c + 1]; i += stride) {
        const double *p = g->z + i * d;
        double *mine = count + g->time[i] / block * (NRXI_DYN_BLOCKS * NRXI_DYN_HALVES);
        for (j = from; j < to; j++) {
          const double *q = g->z + j * d;
          double d2 = 0;
          uint64_t bits;
          for (k = 0; k < d; k++) d2 += (p[k] - q[k]) * (p[k] - q[k]);
          d2 *= scale;
          gap = g->time[i] > g->time[j] ? g->time[i] - g->time[j] : g->time[j] - g->time[i];
          if (d2 >= 1 || gap <= theiler) continue;
          memcpy(&bits, &d2, sizeof bits); /* the exponent of the square counts half octaves */
          k = (size_t)(1022 - (bits >> 52));
          mine[g->time[j] / block * NRXI_DYN_HALVES + (k < 4 ? k : 4)] += 1;
        }
      }
    }
  }
}

/* Fits slopes nu [bins] by D - mean of 1 / (1/u + ln(r_max / r)) + E r, weights w: D and E for each u of a
 * grid. terms: 3 all, 2 without u, 1 D alone. Returns chi square. */
static double nrxi_dyn_d2_fit(size_t bins, const double *nu, const double *w, int terms, double *D,
    double *u_best)
{
  const double half = NRXI_DYN_HALF;
  double best = HUGE_VAL;
  size_t i, step;
  for (step = 0; step <= (terms == 3 ? 1000 : 0); step++) {
    double u = 0.5 * (double)step / 1000, s = 0, sh = 0, shh = 0, sy = 0, shy = 0, chi = 0, det, a, b;
    double y[NRXI_DYN_SLOPES], h[NRXI_DYN_SLOPES];
    for (i = 0; i < bins; i++) {
      double t = half * (double)i;
      h[i] = terms > 1 ? exp(-t) : 0;
      y[i] = nu[i] + log((1 + u * (t + half)) / (1 + u * t)) / half;
      s += w[i]; sh += w[i] * h[i]; shh += w[i] * h[i] * h[i]; sy += w[i] * y[i]; shy += w[i] * h[i] * y[i];
    }
    det = s * shh - sh * sh;
    b = terms > 1 ? (s * shy - sh * sy) / det : 0;
    a = (sy - b * sh) / s;
    for (i = 0; i < bins; i++) chi += w[i] * (y[i] - a - b * h[i]) * (y[i] - a - b * h[i]);
    if (chi < best) { best = chi; *D = a; *u_best = u; }
  }
  return best;
}

/* Slopes of one grid's half octaves, without the block `leave`. */
static void nrxi_dyn_d2_slopes(const double *count, size_t leave, double *nu, double *pairs)
{
  size_t a, b, k;
  double sum[NRXI_DYN_HALVES] = {0, 0, 0, 0, 0}, below;
  for (a = 0; a < NRXI_DYN_BLOCKS; a++)
    for (b = 0; b < NRXI_DYN_BLOCKS; b++)
      for (k = 0; k < NRXI_DYN_HALVES && a != leave && b != leave; k++)
        sum[k] += count[(a * NRXI_DYN_BLOCKS + b) * NRXI_DYN_HALVES + k];
  for (below = sum[4], k = 4; k-- > 0; below += sum[k]) {
    nu[k] = below > 0 ? log((below + sum[k]) / below) / NRXI_DYN_HALF : 0.0;
    pairs[k] = below;
  }
}

/* Chooses the radii, fits, takes the jackknife; var [bins]: squared errors of nu[B], the slopes of all. */
static void nrxi_dyn_d2_estimate(double (*nu)[NRXI_DYN_SLOPES], size_t B, const double *var,
    nrx_dyn_dimension_info *info)
{
  size_t b, i, k, m = info->bins, from;
  double w[NRXI_DYN_SLOPES], D, u, lo = 0, hi = 1;
  int terms;
  for (from = 0;; from++) { /* a fit that holds, from the widest range of radii on */
    for (i = from; i < m; i++) w[i] = 1 / var[i];
    info->misfit = nrxi_dyn_d2_fit(m - from, nu[B] + from, w + from, 3, &D, &u)
        / (double)(m - from - 3);
    if (info->misfit <= 1.5) break;
    if (m - from == NRXI_DYN_FEWEST || from == 4) { from = 0; break; }
  }
  for (i = 0; i < m; i++) w[i] = 1 / var[i];
  for (k = 0; k < 50 && from == 0; k++) { /* none holds, as on a Cantor set: scatter is added to var */
    double mid = 0.5 * (lo + hi), chi;
    for (i = 0; i < m; i++) w[i] = 1 / (var[i] + (k ? mid : 0));
    chi = nrxi_dyn_d2_fit(m, nu[B], w, 3, &D, &u) / (double)(m - 3);
    if (k == 0) info->misfit = chi;
    if (k == 0 && chi <= 1.5) break;
    if (chi > 1) lo = mid;
    else hi = mid;
  }
  for (i = from; i < m; i++) {
    info->radius[i - from] = info->radius[i];
    info->slope[i - from] = info->slope[i];
    info->slope_error[i - from] = info->slope_error[i];
    w[i - from] = w[i];
    for (b = 0; b <= B; b++) nu[b][i - from] = nu[b][i];
  }
  info->bins = m -= from;
  nrxi_dyn_d2_fit(m, nu[B], w, 1, &info->plain, &u);
  hi = nrxi_dyn_d2_fit(m, nu[B], w, 2, &info->other, &u);
  terms = hi - nrxi_dyn_d2_fit(m, nu[B], w, 3, &info->dimension, &info->log_term) > 4 ? 3 : 2;
  if (terms == 2) { /* no logarithm beyond two standard errors */
    D = info->other; info->other = info->dimension; info->dimension = D;
    info->log_term = 0;
  }
  for (k = 0; k < 2; k++) { /* errors: k = 1 of the plain slope */
    double blocks = 0, bins = 0, center = k ? info->plain : info->dimension;
    for (b = 0; b < B; b++) {
      nrxi_dyn_d2_fit(m, nu[b], w, k ? 1 : terms, &D, &u);
      blocks += (D - center) * (D - center) * (double)(B - 1) / (double)B;
    }
    for (i = 0; i < m && lo > 0; i++) { /* scatter: one half octave left out */
      double keep = w[i];
      w[i] = 0;
      nrxi_dyn_d2_fit(m, nu[B], w, k ? 1 : terms, &D, &u);
      w[i] = keep;
      bins += (D - center) * (D - center) * (double)(m - 1) / (double)m;
    }
    if (k) info->plain_error = sqrt(blocks + bins);
    else info->error = sqrt(blocks + bins);
  }
}

NRX_DEF nrx_status nrx_dyn_correlation_dimension(size_t n, size_t d, const double *x,
    const nrx_dyn_dimension_desc *desc, nrx_dyn_dimension_info *info)
{
  enum { B = NRXI_DYN_BLOCKS, S = NRXI_DYN_SLOPES };
  nrx_dyn_dimension_desc o = NRX_ZERO;
  nrxi_dyn_grid g;
  double nu[B + 1][S], w[S], pairs[S], spread = 0, R, mean, *count = NULL;
  size_t i, j, k, b, bits;
  int enough = 1;
  nrx_status st = NRX_E_NOMEM;
  if (desc) o = *desc;
  if (!x || !info || n < 1000 || d == 0 || o.theiler > n / 2 || !nrxi_all_finite(x, n * d, NRX_F64)
      || !(o.r_max >= 0 && o.r_min >= 0))
    return nrxi_fail(&o.env, NRX_E_ARG,
        "nrx_dyn_correlation_dimension: needs 1000 finite points and theiler <= n / 2");
  memset(&g, 0, sizeof g);
  memset(info, 0, sizeof *info);
  g.n = n; g.d = d;
  for (j = 0; j < d; j++) { /* the spread; the three widest axes carry the grid */
    double lo = x[j], hi = lo, m = 0, v = 0;
    for (i = 0; i < n; i++) { double e = x[i * d + j] - x[j]; m += e; v += e * e;
      lo = nrxi_dyn_min(lo, x[i * d + j]); hi = nrxi_dyn_max(hi, x[i * d + j]); }
    m /= (double)n;
    spread += v / (double)n - m * m;
    for (k = g.axes; k > 0 && g.extent[k - 1] < hi - lo; k--)
      if (k < 3) { g.extent[k] = g.extent[k - 1]; g.lo[k] = g.lo[k - 1]; g.axis[k] = g.axis[k - 1]; }
    if (k < 3) { g.extent[k] = hi - lo; g.lo[k] = lo; g.axis[k] = j; g.axes += g.axes < 3; }
  }
  R = o.r_max > 0 ? o.r_max : 0.1 * sqrt(spread);
  if (!(R > 0) || !nrxi_finite_f64(&R))
    return nrxi_fail(&o.env, NRX_E_NUMERIC, "nrx_dyn_correlation_dimension: constant data");
  for (bits = 1; n >> bits; bits++) { }
  g.bits = (64 - bits) / g.axes < 30 ? (64 - bits) / g.axes : 30;
  g.key = (uint64_t *)nrxi_alloc(&o.env, n, sizeof(uint64_t));
  g.start = (size_t *)nrxi_alloc(&o.env, n + 1, sizeof(size_t));
  g.time = (size_t *)nrxi_alloc(&o.env, n, sizeof(size_t));
  g.z = (double *)nrxi_alloc(&o.env, n * d, sizeof(double));
  count = (double *)nrxi_alloc(&o.env, B * B * NRXI_DYN_HALVES, sizeof(double));
  if (!g.key || !g.start || !g.time || !g.z || !count) goto done;
  for (k = 0; k + 4 <= S && enough; k += 4, R *= 0.25) { /* two octaves at a time */
    nrxi_dyn_grid_fill(&g, x, R);
    nrxi_dyn_grid_count(&g, R, o.theiler, o.budget > 0 ? o.budget : 3e8, count);
    for (b = 0; b <= B; b++) nrxi_dyn_d2_slopes(count, b, nu[b] + k, pairs + k);
    for (i = k; i < k + 4 && enough; i++) {
      for (mean = 0, b = 0; b < B; b++) mean += nu[b][i] / (double)B;
      for (w[i] = 0, b = 0; b < B; b++) w[i] += (nu[b][i] - mean) * (nu[b][i] - mean) * (1 - 1 / (double)B);
      info->radius[i] = R * pow(2, -0.5 * (double)(i - k));
      info->slope[i] = nu[B][i];
      info->slope_error[i] = sqrt(w[i]);
      if (pairs[i] < 1000 || !(w[i] > 0 && w[i] < 0.01) || info->radius[i] < o.r_min) enough = 0;
      else info->bins++;
    }
    if (nrxi_progress(&o.env, info->bins, S, R)) { st = NRX_E_CANCELLED; goto done; }
  }
  st = NRX_E_NUMERIC;
  if (info->bins < NRXI_DYN_FEWEST) {
    nrxi_fail(&o.env, st, "nrx_dyn_correlation_dimension: %zu half octaves have enough pairs, needs %d",
        info->bins, NRXI_DYN_FEWEST);
    goto done;
  }
  st = NRX_OK;
  nrxi_dyn_d2_estimate(nu, B, w, info);
done:
  nrxi_free(&o.env, g.key); nrxi_free(&o.env, g.start); nrxi_free(&o.env, g.time); nrxi_free(&o.env, g.z);
  nrxi_free(&o.env, count);
  return st == NRX_E_NOMEM ? nrxi_dyn_oom(&o.env, "nrx_dyn_correlation_dimension") : st;
}

NRX_DEF nrx_status nrx_dyn_box_counts(size_t n, size_t d, const double *x, size_t levels, size_t *counts)
{
  size_t i, j, k, bits;
  double *lo, side = 0.0;
  uint64_t *key;
  if (!x || !counts || n == 0 || d == 0 || levels == 0 || !nrxi_mul_ok(d, levels, &bits) || bits > 60
      || !nrxi_all_finite(x, n * d, NRX_F64))
    return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_box_counts: needs finite points and d * levels <= 60");
  key = (uint64_t *)nrxi_alloc(NULL, n, sizeof(uint64_t));
  lo = (double *)nrxi_alloc(NULL, d, sizeof(double));
  if (!key || !lo) { nrxi_free(NULL, key); nrxi_free(NULL, lo);
    return nrxi_dyn_oom(NULL, "nrx_dyn_box_counts"); }
  for (j = 0; j < d; j++) {
    double hi = lo[j] = x[j];
    for (i = 1; i < n; i++) { lo[j] = nrxi_dyn_min(lo[j], x[i * d + j]);
      hi = nrxi_dyn_max(hi, x[i * d + j]); }
    side = nrxi_dyn_max(side, hi - lo[j]);
  }
  for (i = 0; i < n; i++) { /* interleave by level, coarse bits first: one sort serves every level */
    uint64_t v = 0, top = (uint64_t)1 << levels;
    for (k = 0; k < levels; k++)
      for (j = 0; j < d; j++) {
        double u = side > 0 ? (x[i * d + j] - lo[j]) / side * (double)top : 0.0;
        uint64_t c = u >= (double)top ? top - 1 : (uint64_t)u;
        v = v << 1 | (c >> (levels - 1 - k) & 1u);
      }
    key[i] = v;
  }
  nrxi_dyn_sort_u64(n, key);
  for (k = 0; k < levels; k++) {
    size_t shift = d * (levels - 1 - k);
    counts[k] = 1;
    for (i = 1; i < n; i++) counts[k] += key[i] >> shift != key[i - 1] >> shift;
  }
  nrxi_free(NULL, key);
  nrxi_free(NULL, lo);
  return NRX_OK;
}

NRX_DEF nrx_status nrx_dyn_test01(size_t n, const double *x, size_t frequencies, uint64_t seed, double *K)
{
  size_t i, j, f, lags = n / 10;
  double *p, *q, *D, *k, mean = 0.0;
  nrx_rng rng;
  if (!x || !K || n < 100 || !nrxi_all_finite(x, n, NRX_F64))
    return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_test01: needs at least 100 finite samples");
  if (frequencies == 0) frequencies = 100;
  p = (double *)nrxi_alloc(NULL, 2 * n + lags + frequencies, sizeof(double));
  if (!p) return nrxi_dyn_oom(NULL, "nrx_dyn_test01");
  q = p + n; D = q + n; k = D + lags;
  nrx_rng_seed(&rng, seed, 0);
  for (i = 0; i < n; i++) mean += x[i] / (double)n;
  for (f = 0; f < frequencies; f++) {
    double c = NRX_PI * (0.2 + 0.6 * nrx_rng_uniform(&rng)), a = 0, b = 0, sx = 0, sy = 0, sxx = 0, syy = 0,
        sxy = 0;
    for (i = 0; i < n; i++) {
      a += x[i] * cos((double)(i + 1) * c);
      b += x[i] * sin((double)(i + 1) * c);
      p[i] = a;
      q[i] = b;
    }
    for (j = 1; j <= lags; j++) {
      double s = 0.0;
      for (i = 0; i < n - lags; i++) s += (p[i + j] - p[i]) * (p[i + j] - p[i]) + (q[i + j] - q[i])
          * (q[i + j] - q[i]);
      D[j - 1] = s / (double)(n - lags) - mean * mean * (1.0 - cos((double)j * c)) / (1.0 - cos(c));
    }
    for (j = 1; j <= lags; j++) { sx += (double)j; sy += D[j - 1]; }
    sx /= (double)lags; sy /= (double)lags;
    for (j = 1; j <= lags; j++) {
      double u = (double)j - sx, v = D[j - 1] - sy;
      sxx += u * u; syy += v * v; sxy += u * v;
    }
    k[f] = syy > 0 ? sxy / sqrt(sxx * syy) : 0.0;
  }
  nrxi_dyn_sort(frequencies, k);
  *K = frequencies % 2 ? k[frequencies / 2] : 0.5 * (k[frequencies / 2] + k[frequencies / 2 - 1]);
  nrxi_free(NULL, p);
  return NRX_OK;
}

NRX_DEF nrx_status nrx_dyn_fixed_points(const nrx_vfield *f, int kind, const double *lo, const double *hi,
    size_t tries, uint64_t seed, size_t max, double *points, double *eigenvalues, int *stable, size_t *count)
{
  size_t n, i, j, t, it, *piv, work;
  double *mem, *y, *g, *J, *w, *ew, *wk;
  nrx_rng rng;
  if (!f || !f->f || f->n == 0 || !lo || !hi || !points || !count || max == 0 || f->n > 2000)
    return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_fixed_points: needs a field, a box, and room for the points");
  n = f->n;
  work = nrxi_dyn_eig_work(n);
  mem = (double *)nrxi_alloc(NULL, n * n + 7 * n + work, sizeof(double));
  piv = (size_t *)nrxi_alloc(NULL, n, sizeof(size_t));
  if (!mem || !piv) { nrxi_free(NULL, mem); nrxi_free(NULL, piv);
    return nrxi_dyn_oom(NULL, "nrx_dyn_fixed_points"); }
  J = mem; y = J + n * n; g = y + n; w = g + n; ew = w + 2 * n; wk = ew + 2 * n;
  nrx_rng_seed(&rng, seed, 0);
  *count = 0;
  for (t = 0; t < tries && *count < max; t++) {
    double step = HUGE_VAL, size = 0;
    int good = 0;
    for (i = 0; i < n; i++) y[i] = lo[i] + (hi[i] - lo[i]) * nrx_rng_uniform(&rng);
    for (it = 0; it < 100; it++) {
      if (f->f(f->user, 0.0, y, g) != NRX_OK || nrxi_dyn_jacobian(f, 0.0, y, g, w, w + n, J) != NRX_OK) break;
      if (kind == NRX_DYN_MAP) for (i = 0; i < n; i++) { g[i] -= y[i]; J[i * n + i] -= 1.0; }
      if (nrxi_dyn_lu(n, J, piv) != NRX_OK) break;
      nrxi_dyn_lu_solve(n, J, piv, g);
      step = size = 0;
      for (i = 0; i < n; i++) { y[i] -= g[i]; step += g[i] * g[i]; size += y[i] * y[i]; }
      if (!nrxi_finite_f64(&step)) break;
      if (step <= 1e-26 * (1.0 + size)) { good = 1; break; }
    }
    for (i = 0; good && i < n; i++) good = y[i] >= lo[i] && y[i] <= hi[i];
    for (j = 0; good && j < *count; j++) good = nrxi_dyn_dist2(n, y, points + j * n) > 1e-12 * (1.0 + size);
    if (!good) continue;
    memcpy(points + *count * n, y, n * sizeof(double));
    if (f->f(f->user, 0.0, y, g) == NRX_OK && nrxi_dyn_jacobian(f, 0.0, y, g, w, w + n, J) == NRX_OK
      && nrxi_dyn_eig(n, J, ew, NULL, wk) == NRX_OK) {
      int ok = 1;
      for (i = 0; i < n; i++)
        ok = ok && (kind == NRX_DYN_MAP ? hypot(ew[2 * i], ew[2 * i + 1]) < 1.0 : ew[2 * i] < 0.0);
      if (stable) stable[*count] = ok;
      if (eigenvalues) memcpy(eigenvalues + *count * 2 * n, ew, 2 * n * sizeof(double));
    }
    ++*count;
  }
  nrxi_free(NULL, mem);
  nrxi_free(NULL, piv);
  return NRX_OK;
}

typedef struct nrxi_dyn_slope_of { const nrx_vfield *f; double *w; size_t which; } nrxi_dyn_slope_of;
static double nrxi_dyn_maximum(void *user, double t, const double *y)
{
  nrxi_dyn_slope_of *q = (nrxi_dyn_slope_of *)user;
  return q->f->f(q->f->user, t, y, q->w) == NRX_OK ? q->w[q->which] : 1.0;
}

NRX_DEF nrx_status nrx_dyn_orbit_diagram(const nrx_vfield *f, int kind, const double *y0, double *param,
    size_t np, const double *values, size_t which, size_t skip, size_t keep, double *out, const nrx_env *env)
{
  size_t i, j, n, total;
  double *mem, nothing = HUGE_VAL - HUGE_VAL, speed;
  nrx_status st = NRX_OK;
  if (!f || !f->f || !y0 || !param || !values || !out || which >= f->n || keep == 0)
    return nrxi_fail(env, NRX_E_ARG,
        "nrx_dyn_orbit_diagram: needs a field, a parameter, values, a component below n and room");
  n = f->n;
  if (!nrxi_add_ok(skip, keep, &total) || total > (size_t)-1 / n / 2)
    return nrxi_fail(env, NRX_E_RANGE, "nrx_dyn_orbit_diagram: sizes overflow");
  mem = (double *)nrxi_alloc(env, total * n + 6 * n, sizeof(double));
  if (!mem) return nrxi_dyn_oom(env, "nrx_dyn_orbit_diagram");
  for (i = 0; i < np; i++) {
    size_t got = 0;
    *param = values[i];
    if (kind == NRX_DYN_MAP) {
      nrx_status s = NRX_OK;
      double *a = mem, *b = mem + n, *c;
      memcpy(a, y0, n * sizeof(double));
      for (j = 0; j < total && s == NRX_OK; j++) {
        s = f->f(f->user, (double)j, a, b);
        if (s == NRX_OK && !nrxi_all_finite(b, n, NRX_F64)) s = NRX_E_NUMERIC;
        if (s == NRX_OK && j >= skip) out[i * keep + got++] = b[which];
        c = a; a = b; b = c;
      }
    } else {
      nrx_dyn_event e;
      nrx_dyn_solve_desc d = NRX_ZERO;
      nrxi_dyn_slope_of q;
      double t[2] = {0, 0};
      memset(&e, 0, sizeof e);
      q.f = f; q.w = mem + total * n + 4 * n; q.which = which;
      e.g = nrxi_dyn_maximum; e.user = &q; e.direction = -1; e.terminal = total; e.states = mem;
      e.capacity = total;
      d.events = &e; d.n_events = 1; d.rtol = 1e-7; d.atol = 1e-9; d.max_steps = 2000 * total;
      if (env) { d.env = *env; d.env.progress = NULL; }
      speed = 1e4 * (double)total;
      t[1] = speed;
      (void)nrx_dyn_solve(f, y0, 2, t, mem + total * n, &d, NULL);
      for (j = skip; j < e.count && j < total; j++) out[i * keep + got++] = mem[j * n + which];
    }
    for (; got < keep; got++) out[i * keep + got] = nothing;
    if (nrxi_progress(env, i + 1, np, values[i])) { st = NRX_E_CANCELLED; break; }
  }
  nrxi_free(env, mem);
  return st;
}

NRX_DEF nrx_status nrx_dyn_recurrences(size_t n, size_t d, const double *x, double eps, size_t theiler,
    size_t lmin, nrx_dyn_recurrence *out)
{
  size_t i, k, run, points = 0, lined = 0, lines = 0, longest = 0, vlined = 0, vlines = 0, *hist;
  double e2 = eps * eps, cells = 0;
  if (!x || !out || n < 2 || d == 0 || !(eps >= 0) || n <= theiler + 1)
    return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_recurrences: needs points, a radius and n > theiler + 1");
  if (lmin < 2) lmin = 2;
  if (theiler == 0) theiler = 1; /* the main diagonal is trivial */
  hist = (size_t *)nrxi_calloc(NULL, n + 1, sizeof(size_t));
  if (!hist) return nrxi_dyn_oom(NULL, "nrx_dyn_recurrences");
  for (k = theiler; k < n; k++) { /* diagonals, one of each symmetric pair */
    for (run = 0, i = 0; i + k <= n; i++) {
      int hit = i + k < n && nrxi_dyn_dist2(d, x + i * d, x + (i + k) * d) <= e2;
      if (i + k < n) cells += 1;
      if (hit) { run++; points++; continue; }
      if (run >= lmin) { hist[run]++; lined += run; lines++; if (run > longest) longest = run; }
      run = 0;
    }
  }
  for (i = 0; i < n; i++) /* vertical lines, whole columns without the band */
    for (run = 0, k = 0; k <= n; k++) {
      int hit = k < n && (k > i ? k - i : i - k) >= theiler && nrxi_dyn_dist2(d, x + i * d, x + k * d) <= e2;
      if (hit) { run++; continue; }
      if (run >= 2) { vlined += run; vlines++; }
      run = 0;
    }
  memset(out, 0, sizeof *out);
  out->rate = (double)points / cells;
  out->determinism = points ? (double)lined / (double)points : 0.0;
  out->mean_line = lines ? (double)lined / (double)lines : 0.0;
  out->longest_line = (double)longest;
  out->divergence = longest ? 1.0 / (double)longest : 0.0;
  for (k = 1; k <= n; k++)
    if (hist[k]) { double p = (double)hist[k] / (double)lines; out->entropy -= p * log(p); }
  out->laminarity = points ? (double)vlined / (2.0 * (double)points) : 0.0;
  out->trapping_time = vlines ? (double)vlined / (double)vlines : 0.0;
  nrxi_free(NULL, hist);
  return NRX_OK;
}

NRX_DEF nrx_status nrx_dyn_mutual_information(size_t n, const double *x, size_t max_lag, size_t bins,
    double *I)
{
  double lo, hi, *h;
  size_t i, j, lag, size;
  if (!x || !I || n < 2 || max_lag >= n || !nrxi_all_finite(x, n, NRX_F64))
    return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_mutual_information: needs more finite samples than lags");
  if (bins < 2) bins = 32;
  if (!nrxi_mul_ok(bins, bins + 2, &size)) return NRX_E_RANGE;
  h = (double *)nrxi_alloc(NULL, size, sizeof(double));
  if (!h) return nrxi_dyn_oom(NULL, "nrx_dyn_mutual_information");
  lo = hi = x[0];
  for (i = 1; i < n; i++) { lo = nrxi_dyn_min(lo, x[i]); hi = nrxi_dyn_max(hi, x[i]); }
  for (lag = 0; lag <= max_lag; lag++) {
    double *a = h + bins * bins, *b = a + bins, sum = 0, m = (double)(n - lag);
    memset(h, 0, size * sizeof(double));
    for (i = 0; i + lag < n; i++) {
      double f = hi > lo ? (double)bins / (hi - lo) : 0.0, u = (x[i] - lo) * f, v = (x[i + lag] - lo) * f;
      size_t p = (size_t)u < bins ? (size_t)u : bins - 1, q = (size_t)v < bins ? (size_t)v : bins - 1;
      h[p * bins + q] += 1; a[p] += 1; b[q] += 1;
    }
    for (i = 0; i < bins; i++)
      for (j = 0; j < bins; j++)
        if (h[i * bins + j] > 0) sum += h[i * bins + j] / m * log(h[i * bins + j] * m / (a[i] * b[j]));
    I[lag] = sum;
  }
  nrxi_free(NULL, h);
  return NRX_OK;
}

NRX_DEF nrx_status nrx_dyn_false_neighbours(size_t n, const double *x, size_t max_m, size_t lag,
    size_t theiler, double *share)
{
  size_t m, i, j, k, span;
  double mean = 0, sd = 0;
  if (!x || !share || max_m == 0 || lag == 0 || !nrxi_mul_ok(max_m, lag, &span) || n < span + theiler + 3
      || !nrxi_all_finite(x, n, NRX_F64))
    return nrxi_fail(NULL, NRX_E_ARG,
        "nrx_dyn_false_neighbours: %zu finite samples are too short for m = %zu, lag = %zu", n, max_m, lag);
  for (i = 0; i < n; i++) mean += x[i] / (double)n;
  for (i = 0; i < n; i++) sd += (x[i] - mean) * (x[i] - mean) / (double)n;
  sd = sqrt(sd);
  for (m = 1; m <= max_m; m++) {
    size_t rows = n - m * lag, seen = 0, bad = 0;
    for (i = 0; i < rows; i++) {
      double least = HUGE_VAL;
      size_t best = rows;
      for (j = 0; j < rows; j++) {
        double d2 = 0.0;
        if ((i > j ? i - j : j - i) <= theiler) continue;
        for (k = 0; k < m && d2 < least; k++) { double v = x[i + k * lag] - x[j + k * lag]; d2 += v * v; }
        if (d2 < least) { least = d2; best = j; }
      }
      if (best < rows && least > 0) {
        double g = fabs(x[i + m * lag] - x[best + m * lag]);
        seen++;
        if (g > 15.0 * sqrt(least) || sqrt(least + g * g) > 2.0 * sd) bad++;
      }
    }
    share[m - 1] = seen ? (double)bad / (double)seen : 0.0;
  }
  return NRX_OK;
}

NRX_DEF nrx_status nrx_dyn_power_spectrum(size_t n, const double *x, double *out, const nrx_env *env)
{
  nrxi_dyn_fft plan;
  double *mem, mean = 0.0;
  size_t i, work;
  nrx_status st;
  if (!x || !out || n < 2) return nrxi_fail(env, NRX_E_ARG,
      "nrx_dyn_power_spectrum: needs at least two samples");
  st = nrxi_dyn_fft_plan(&plan, n, env);
  if (st != NRX_OK) return nrxi_fail(env, st, "nrx_dyn_power_spectrum: no plan for n = %zu", n);
  work = nrxi_dyn_fft_work(&plan);
  mem = (double *)nrxi_alloc(env, 2 * n + 2 + work, sizeof(double));
  if (mem) {
    for (i = 0; i < n; i++) mean += x[i] / (double)n;
    for (i = 0; i < n; i++) mem[i] = x[i] - mean;
    nrxi_dyn_rfft(&plan, mem, mem + n, mem + 2 * n + 2);
    for (i = 0; i <= n / 2; i++) out[i] =
        (mem[n + 2 * i] * mem[n + 2 * i] + mem[n + 2 * i + 1] * mem[n + 2 * i + 1]) / (double)n;
  } else st = nrxi_dyn_oom(env, "nrx_dyn_power_spectrum");
  nrxi_dyn_fft_drop(&plan);
  nrxi_free(env, mem);
  return st;
}

/* -- surrogates -- */

/* order [n] = indices of x in ascending order. */
static void nrxi_dyn_order(size_t n, const double *x, size_t *order)
{
  size_t i, root, child, end = n, first = n / 2, v;
  for (i = 0; i < n; i++) order[i] = i;
  while (end > 1) {
    if (first > 0) v = order[--first];
    else { v = order[--end]; order[end] = order[0]; }
    for (root = first; (child = 2 * root + 1) < end; root = child) {
      if (child + 1 < end && x[order[child + 1]] > x[order[child]]) child++;
      if (!(x[order[child]] > x[v])) break;
      order[root] = order[child];
    }
    order[root] = v;
  }
}

/* y gets the values `sorted` in the order of its own ranks. */
static void nrxi_dyn_rank_map(size_t n, double *y, const double *sorted, size_t *order)
{
  size_t i;
  nrxi_dyn_order(n, y, order);
  for (i = 0; i < n; i++) y[order[i]] = sorted[i];
}

static void nrxi_dyn_random_phases(const nrxi_dyn_fft *plan, size_t n, double *x, double *c, double *work,
    nrx_rng *rng)
{
  size_t i;
  nrxi_dyn_rfft(plan, x, c, work);
  for (i = 1; 2 * i < n; i++) {
    double th = 2 * NRX_PI * nrx_rng_uniform(rng), a = c[2 * i], b = c[2 * i + 1];
    c[2 * i] = a * cos(th) - b * sin(th);
    c[2 * i + 1] = a * sin(th) + b * cos(th);
  }
  nrxi_dyn_irfft(plan, c, x, work);
  for (i = 0; i < n; i++) x[i] /= (double)n;
}

NRX_DEF nrx_status nrx_dyn_surrogate(int kind, size_t n, const double *x, uint64_t seed, double *out,
    const nrx_env *env)
{
  nrxi_dyn_fft plan;
  nrx_rng rng;
  double *mem, *c, *sorted, *amp, *old, *work;
  size_t i, it, size, *order;
  nrx_status st;
  if (!x || !out || n < 4 || kind < NRX_DYN_SHUFFLE || kind > NRX_DYN_IAAFT
      || !nrxi_all_finite(x, n, NRX_F64))
    return nrxi_fail(env, NRX_E_ARG,
        "nrx_dyn_surrogate: needs at least four finite samples and a known kind");
  nrx_rng_seed(&rng, seed, 0);
  memcpy(out, x, n * sizeof(double));
  if (kind != NRX_DYN_FT)
    for (i = n; i-- > 1;) {
      size_t j = (size_t)nrx_rng_below(&rng, i + 1);
      double v = out[i];
      out[i] = out[j];
      out[j] = v;
    }
  if (kind == NRX_DYN_SHUFFLE) return NRX_OK;
  st = nrxi_dyn_fft_plan(&plan, n, env);
  if (st != NRX_OK) return nrxi_fail(env, st, "nrx_dyn_surrogate: no plan for n = %zu", n);
  size = nrxi_dyn_fft_work(&plan);
  mem = (double *)nrxi_alloc(env, 5 * n + 8 + size, sizeof(double));
  order = (size_t *)nrxi_alloc(env, n, sizeof(size_t));
  if (!mem || !order) { st = nrxi_dyn_oom(env, "nrx_dyn_surrogate"); goto done; }
  c = mem; sorted = c + n + 2; amp = sorted + n; old = amp + n / 2 + 1; work = old + n;
  memcpy(sorted, x, n * sizeof(double));
  nrxi_dyn_sort(n, sorted);
  if (kind == NRX_DYN_FT) nrxi_dyn_random_phases(&plan, n, out, c, work, &rng);
  else if (kind == NRX_DYN_AAFT) { /* Gaussian noise in the rank order of x, phases shuffled, ranks mapped
            back */
    memcpy(old, x, n * sizeof(double));
    for (i = 0; i < n; i++) out[i] = nrx_rng_normal(&rng);
    nrxi_dyn_sort(n, out);
    nrxi_dyn_order(n, old, order);
    for (i = 0; i < n; i++) old[order[i]] = out[i];
    memcpy(out, old, n * sizeof(double));
    nrxi_dyn_random_phases(&plan, n, out, c, work, &rng);
    nrxi_dyn_rank_map(n, out, sorted, order);
  } else {
    memcpy(old, x, n * sizeof(double));
    nrxi_dyn_rfft(&plan, old, c, work);
    for (i = 0; i <= n / 2; i++) amp[i] = hypot(c[2 * i], c[2 * i + 1]);
    for (it = 0; it < 1000; it++) {
      memcpy(old, out, n * sizeof(double));
      nrxi_dyn_rfft(&plan, out, c, work);
      for (i = 0; i <= n / 2; i++) {
        double m = hypot(c[2 * i], c[2 * i + 1]), f = m > 0 ? amp[i] / m / (double)n : 0.0;
        c[2 * i] *= f;
        c[2 * i + 1] *= f;
      }
      nrxi_dyn_irfft(&plan, c, out, work);
      nrxi_dyn_rank_map(n, out, sorted, order);
      if (memcmp(old, out, n * sizeof(double)) == 0) break;
    }
  }
done:
  nrxi_dyn_fft_drop(&plan);
  nrxi_free(env, mem);
  nrxi_free(env, order);
  return st;
}

/* ======================================== sparse identification ================ */

#if !defined(NRX_NO_STDIO)
#include <stdio.h>
#endif

/* -- text -- */

static void nrxi_dyn_put_fixed(nrxi_text *t, double v, int decimals)
{
  double scale = 1.0, r;
  int i;
  char digits[40];
  if (!nrxi_finite_f64(&v) || fabs(v) > 1e15) { nrxi_put_double(t, v); return; }
  for (i = 0; i < decimals; i++) scale *= 10.0;
  r = floor(fabs(v) * scale + 0.5);
  if (v < 0 && r > 0) nrxi_put(t, '-');
  nrxi_put_unsigned(t, (uint64_t)floor(r / scale));
  if (decimals <= 0) return;
  nrxi_put(t, '.');
  r -= floor(r / scale) * scale;
  for (i = decimals; i-- > 0;) {
    digits[i] = (char)('0' + (int)fmod(r, 10.0));
    r = floor(r / 10.0);
  }
  for (i = 0; i < decimals; i++) nrxi_put(t, digits[i]);
}

/* 17 significant digits with a decimal point in every locale. */
static void nrxi_dyn_put_exact(nrxi_text *t, double v)
{
#if defined(NRX_NO_STDIO)
  double m = fabs(v);
  int e = 0;
  if (v < 0) nrxi_put(t, '-');
  if (m > 0) {
    while (m >= 1e15) { m /= 10; e++; }
    while (m < 1e14) { m *= 10; e--; }
  }
  nrxi_put_unsigned(t, (uint64_t)(m + 0.5));
  nrxi_put_string(t, ".0e");
  nrxi_put_signed(t, e);
#else
  char s[40];
  int i, dot = 0;
  (void)snprintf(s, sizeof s, "%.17g", v);
  for (i = 0; s[i]; i++) {
    if (s[i] == ',') s[i] = '.';
    if (s[i] == '.' || s[i] == 'e' || s[i] == 'n') dot = 1;
  }
  nrxi_put_string(t, s);
  if (!dot) nrxi_put_string(t, ".0");
#endif
}

/* Text that counts what it would need and never overruns. */
typedef struct nrxi_dyn_writer { char *text; size_t size, length; } nrxi_dyn_writer;
static void nrxi_dyn_write(nrxi_dyn_writer *w, const char *s)
{
  for (; *s; s++, w->length++)
    if (w->text && w->length + 1 < w->size) w->text[w->length] = *s;
}
static void nrxi_dyn_write_end(nrxi_dyn_writer *w)
{
  if (w->text && w->size) w->text[w->length < w->size ? w->length : w->size - 1] = 0;
}
/* decimals: -1 exact, -2 six digits */
static void nrxi_dyn_write_number(nrxi_dyn_writer *w, double v, int decimals)
{
  char s[64];
  nrxi_text t;
  t.at = s;
  t.end = s + sizeof s - 1;
  if (decimals >= 0) nrxi_dyn_put_fixed(&t, v, decimals);
  else if (decimals == -1) nrxi_dyn_put_exact(&t, v);
  else nrxi_put_double(&t, v);
  *t.at = 0;
  nrxi_dyn_write(w, s);
}

/* -- library -- */

typedef struct nrxi_dyn_terms {
  size_t d, p, n_poly;
  const nrx_dyn_library *lib;
  int *parent, *var, *degree; /* polynomial term = parent * x[var]; parent -1 for the constant */
  unsigned char *need;        /* NULL, or which polynomial terms are wanted */
} nrxi_dyn_terms;

static size_t nrxi_dyn_choose(size_t n, size_t k)
{
  double v = 1.0;
  size_t i;
  for (i = 1; i <= k; i++) v = v * (double)(n - k + i) / (double)i;
  return v > 1e7 ? (size_t)-1 : (size_t)(v + 0.5);
}

/* Terms of degree g in d variables. */
static size_t nrxi_dyn_terms_of(const nrx_dyn_library *lib, size_t d, size_t g)
{
  if (g == 0) return lib->no_bias ? 0 : 1;
  if (g == 1) return d;
  if (lib->pure_powers && lib->interactions_only) return 0;
  if (lib->pure_powers) return d;
  if (lib->interactions_only) return g <= d ? nrxi_dyn_choose(d, g) : 0;
  return nrxi_dyn_choose(d + g - 1, g);
}

static int nrxi_dyn_degree(const nrx_dyn_library *lib) {
  return lib->degree == 0 ? 2 : lib->degree < 0 ? -1 : lib->degree; }

NRX_DEF size_t nrx_dyn_library_size(const nrx_dyn_library *lib, size_t d)
{
  nrx_dyn_library plain = NRX_ZERO;
  size_t p = 0, i, v;
  int g, degree;
  if (!lib) lib = &plain;
  degree = nrxi_dyn_degree(lib);
  if (d == 0 || d > 100000 || degree > 100) return (size_t)-1;
  for (g = 0; g <= degree; g++) {
    v = nrxi_dyn_terms_of(lib, d, (size_t)g);
    if (v == (size_t)-1 || p + v > 1000000) return (size_t)-1;
    p += v;
  }
  if (degree < 0 && !lib->no_bias) p = 1;
  for (i = 0; i < lib->n_functions; i++) {
    v = lib->functions[i].arity == 0 || lib->functions[i].arity > d ? 0
        : nrxi_dyn_choose(d, lib->functions[i].arity);
    if (v == (size_t)-1 || p + v > 1000000) return (size_t)-1;
    p += v;
  }
  if (lib->fourier > 0) p += 2 * (size_t)lib->fourier * d;
  if (lib->logarithms) p += d;
  return p;
}

static nrx_status nrxi_dyn_terms_make(nrxi_dyn_terms *w, const nrx_dyn_library *lib, size_t d,
    const nrx_env *env)
{
  size_t p = nrx_dyn_library_size(lib, d), at = 0, from = 0, to = 0, i, v;
  int g, degree = nrxi_dyn_degree(lib);
  memset(w, 0, sizeof *w);
  w->d = d;
  w->lib = lib;
  if (p == (size_t)-1) return NRX_E_RANGE;
  w->p = p;
  w->parent = (int *)nrxi_alloc(env, p + 1, 3 * sizeof(int));
  if (!w->parent) return NRX_E_NOMEM;
  w->var = w->parent + p + 1;
  w->degree = w->var + p + 1;
  /* parent -1 stands for the constant whether or not it is a term */
  if (!lib->no_bias) { w->parent[0] = -2; w->var[0] = 0; w->degree[0] = 0; at = 1; }
  for (g = 1; g <= degree; g++) {
    size_t start = at;
    if (g == 1)
      for (v = 0; v < d; v++, at++) { w->parent[at] = -1; w->var[at] = (int)v; w->degree[at] = 1; }
    else
      for (i = from; i < to; i++) { /* append a variable not before (or only equal to, or only after) the last
            one */
        size_t last = (size_t)w->var[i], first = lib->interactions_only ? last + 1 : last;
        for (v = first; v < d && (!lib->pure_powers || v == last); v++, at++) {
          w->parent[at] = (int)i;
          w->var[at] = (int)v;
          w->degree[at] = g;
        }
      }
    from = start;
    to = at;
  }
  w->n_poly = at;
  return NRX_OK;
}

/* Next ascending combination of k out of d; 0 after the last. */
static int nrxi_dyn_next_combination(size_t *c, size_t k, size_t d)
{
  size_t i = k;
  while (i-- > 0)
    if (c[i] + (k - i) < d) {
      size_t j;
      c[i]++;
      for (j = i + 1; j < k; j++) c[j] = c[j - 1] + 1;
      return 1;
    }
  return 0;
}

/* Columns of n points (rows of x, stride d): F[j * ld + r]. */
static void nrxi_dyn_terms_eval(const nrxi_dyn_terms *w, size_t n, const double *x, double *F, size_t ld)
{
  const nrx_dyn_library *lib = w->lib;
  size_t j, r, at, v, d = w->d, i;
  for (j = 0; j < w->n_poly; j++) {
    double *NRX_RESTRICT f = F + j * ld;
    if (w->need && !w->need[j]) continue;
    if (w->parent[j] == -2) for (r = 0; r < n; r++) f[r] = 1.0;
    else if (w->parent[j] == -1) for (v = (size_t)w->var[j], r = 0; r < n; r++) f[r] = x[r * d + v];
    else {
      const double *NRX_RESTRICT a = F + (size_t)w->parent[j] * ld;
      const double *NRX_RESTRICT b = F + ((lib->no_bias ? 0 : 1) + (size_t)w->var[j]) * ld;
#if defined(NRXI_VEC) && __FLT_EVAL_METHOD__ == 0 /* with excess precision vector times scalar does not
            compile */
      for (r = 0; r + 4 <= n; r += 4) *(nrxi_f64x4u *)(f + r) = *(const nrxi_f64x4u *)(a + r)
          * *(const nrxi_f64x4u *)(b + r);
      for (; r < n; r++) f[r] = a[r] * b[r];
#else
      for (r = 0; r < n; r++) f[r] = a[r] * b[r];
#endif
    }
  }
  at = w->n_poly;
  for (j = 1; (int)j <= lib->fourier; j++)
    for (v = 0; v < d; v++, at += 2)
      for (r = 0; r < n; r++) {
        F[at * ld + r] = sin((double)j * x[r * d + v]);
        F[(at + 1) * ld + r] = cos((double)j * x[r * d + v]);
      }
  for (i = 0; i < lib->n_functions; i++) {
    const nrx_dyn_function *q = &lib->functions[i];
    size_t c[16], k = q->arity < 16 ? q->arity : 0;
    double in[16];
    if (k == 0 || k > d) continue;
    for (j = 0; j < k; j++) c[j] = j;
    do {
      for (r = 0; r < n; r++) {
        for (j = 0; j < k; j++) in[j] = x[r * d + c[j]];
        F[at * ld + r] = q->f(q->user, in);
      }
      at++;
    } while (nrxi_dyn_next_combination(c, k, d));
  }
  if (lib->logarithms)
    for (v = 0; v < d; v++, at++) for (r = 0; r < n; r++) F[at * ld + r] = log(x[r * d + v]);
}

static void nrxi_dyn_write_var(nrxi_dyn_writer *w, const char *const *names, size_t v, size_t states)
{
  if (names && names[v]) { nrxi_dyn_write(w, names[v]); return; }
  nrxi_dyn_write(w, v < states ? "x" : "u");
  nrxi_dyn_write_number(w, (double)(v < states ? v : v - states), 0);
}

static void nrxi_dyn_write_term(nrxi_dyn_writer *w, const nrxi_dyn_terms *q, size_t term,
    const char *const *names, size_t states, int as_c)
{
  const nrx_dyn_library *lib = q->lib;
  size_t at = q->n_poly, i, j, v;
  if (term < at) {
    int vars[128], n = 0, k = (int)term, e;
    if (q->parent[k] == -2) { nrxi_dyn_write(w, "1"); return; }
    for (; k >= 0 && n < 128; k = q->parent[k]) { vars[n++] = q->var[k]; if (q->parent[k] < 0) break; }
    while (n > 0) {
      for (e = 1; n > e && vars[n - 1 - e] == vars[n - 1]; e++) { }
      for (i = 0; i < (as_c ? (size_t)e : 1); i++) {
        if (as_c) { nrxi_dyn_write(w, i ? "*x[" : "x["); nrxi_dyn_write_number(w, vars[n - 1], 0);
          nrxi_dyn_write(w, "]"); }
        else nrxi_dyn_write_var(w, names, (size_t)vars[n - 1], states);
      }
      if (!as_c && e > 1) { nrxi_dyn_write(w, "^"); nrxi_dyn_write_number(w, e, 0); }
      n -= e;
      if (n > 0) nrxi_dyn_write(w, as_c ? "*" : " ");
    }
    return;
  }
  for (j = 1; (int)j <= lib->fourier; j++)
    for (v = 0; v < q->d; v++, at += 2)
      if (term == at || term == at + 1) {
        nrxi_dyn_write(w, term == at ? "sin(" : "cos(");
        nrxi_dyn_write_number(w, (double)j, 0);
        if (as_c) { nrxi_dyn_write(w, "*x["); nrxi_dyn_write_number(w, (double)v, 0);
          nrxi_dyn_write(w, "])"); }
        else { nrxi_dyn_write(w, " "); nrxi_dyn_write_var(w, names, v, states); nrxi_dyn_write(w, ")"); }
        return;
      }
  for (i = 0; i < lib->n_functions; i++) {
    size_t c[16], k = lib->functions[i].arity < 16 ? lib->functions[i].arity : 0;
    if (k == 0 || k > q->d) continue;
    for (j = 0; j < k; j++) c[j] = j;
    do {
      if (at++ != term) continue;
      nrxi_dyn_write(w, lib->functions[i].name ? lib->functions[i].name : "f");
      nrxi_dyn_write(w, "(");
      for (j = 0; j < k; j++) {
        if (j) nrxi_dyn_write(w, ",");
        if (as_c) { nrxi_dyn_write(w, "x["); nrxi_dyn_write_number(w, (double)c[j], 0);
          nrxi_dyn_write(w, "]"); }
        else nrxi_dyn_write_var(w, names, c[j], states);
      }
      nrxi_dyn_write(w, ")");
      return;
    } while (nrxi_dyn_next_combination(c, k, q->d));
  }
  nrxi_dyn_write(w, as_c ? "log(" : "ln ");
  if (as_c) { nrxi_dyn_write(w, "x["); nrxi_dyn_write_number(w, (double)(term - at), 0);
    nrxi_dyn_write(w, "])"); }
  else nrxi_dyn_write_var(w, names, term - at, states);
}

NRX_DEF nrx_status nrx_dyn_library_eval(const nrx_dyn_library *lib, size_t n, size_t d, const double *x,
    double *theta)
{
  nrx_dyn_library plain = NRX_ZERO;
  nrxi_dyn_terms w;
  double *F;
  size_t r, j, k;
  nrx_status st;
  if (!lib) lib = &plain;
  if (!x || !theta || d == 0) return nrxi_fail(NULL, NRX_E_ARG,
      "nrx_dyn_library_eval: needs points and room");
  st = nrxi_dyn_terms_make(&w, lib, d, NULL);
  F = st == NRX_OK ? (double *)nrxi_alloc(NULL, w.p * 64, sizeof(double)) : NULL;
  if (!F) { nrxi_free(NULL, w.parent); return nrxi_fail(NULL, st == NRX_OK ? NRX_E_NOMEM : st,
      "nrx_dyn_library_eval: library too large or no memory"); }
  for (r = 0; r < n; r += 64) {
    size_t m = n - r < 64 ? n - r : 64;
    nrxi_dyn_terms_eval(&w, m, x + r * d, F, 64);
    for (k = 0; k < m; k++) for (j = 0; j < w.p; j++) theta[(r + k) * w.p + j] = F[j * 64 + k];
  }
  nrxi_free(NULL, F);
  nrxi_free(NULL, w.parent);
  return NRX_OK;
}

NRX_DEF nrx_status nrx_dyn_library_name(const nrx_dyn_library *lib, size_t d, size_t term,
    const char *const *names, char *text, size_t size)
{
  nrx_dyn_library plain = NRX_ZERO;
  nrxi_dyn_terms w;
  nrxi_dyn_writer out;
  nrx_status st;
  if (!lib) lib = &plain;
  if (!text || size == 0 || d == 0) return nrxi_fail(NULL, NRX_E_ARG,
      "nrx_dyn_library_name: needs room for text");
  st = nrxi_dyn_terms_make(&w, lib, d, NULL);
  if (st == NRX_OK && term >= w.p) st = NRX_E_ARG;
  if (st == NRX_OK) {
    out.text = text;
    out.size = size;
    out.length = 0;
    nrxi_dyn_write_term(&out, &w, term, names, d, 0);
    nrxi_dyn_write_end(&out);
  }
  nrxi_free(NULL, w.parent);
  return st == NRX_OK ? st : nrxi_fail(NULL, st, "nrx_dyn_library_name: no term %zu", term);
}

/* -- streaming QR -- */

NRX_DEF void nrx_dyn_stream_free(nrx_dyn_stream *s)
{
  if (!s) return;
  nrxi_free(&s->env, s->R);
  nrxi_free(&s->env, s->buf);
  s->R = s->buf = NULL;
}

NRX_DEF nrx_status nrx_dyn_stream_create(nrx_dyn_stream *s, size_t cols, const nrx_env *env)
{
  size_t work, total, square;
  if (!s) return NRX_E_ARG;
  memset(s, 0, sizeof *s);
  if (env) s->env = *env;
  if (cols == 0 || cols > 100000) return nrxi_fail(env, NRX_E_ARG, "nrx_dyn_stream_create: %zu columns",
      cols);
  s->cols = cols;
  s->block = 3 * cols < 192 ? 192 : 3 * cols;
  work = cols;
  if (!nrxi_mul_ok(s->block + cols, cols, &total) || !nrxi_add_ok(total, work + 2 * cols, &total)
      || !nrxi_mul_ok(cols, cols, &square))
    return nrxi_fail(env, NRX_E_RANGE, "nrx_dyn_stream_create: sizes overflow");
  s->R = (double *)nrxi_calloc(env, square, sizeof(double));
  s->buf = (double *)nrxi_calloc(env, total, sizeof(double));
  if (!s->R || !s->buf) { nrx_dyn_stream_free(s); return nrxi_dyn_oom(env, "nrx_dyn_stream_create"); }
  s->tau = s->buf + (s->block + cols) * cols;
  s->work = s->tau + 2 * cols;
  return NRX_OK;
}

NRX_DEF nrx_status nrx_dyn_stream_finish(nrx_dyn_stream *s)
{
  size_t i, c;
  nrx_status st;
  if (!s || !s->R) return NRX_E_ARG;
  c = s->cols;
  if (s->fill == 0) return NRX_OK;
  memcpy(s->buf, s->R, c * c * sizeof(double)); /* R on top of the waiting rows */
  st = nrxi_dyn_qr(c + s->fill, c, s->buf, s->tau, s->work);
  if (st != NRX_OK) return st;
  for (i = 0; i < c; i++) {
    memset(s->R + i * c, 0, i * sizeof(double));
    memcpy(s->R + i * c + i, s->buf + i * c + i, (c - i) * sizeof(double));
  }
  s->fill = 0;
  return NRX_OK;
}

NRX_DEF nrx_status nrx_dyn_stream_push(nrx_dyn_stream *s, size_t rows, const double *a)
{
  size_t c, take;
  nrx_status st = NRX_OK;
  if (!s || !s->R || (rows && !a)) return NRX_E_ARG;
  c = s->cols;
  if (!nrxi_all_finite(a, rows * c, NRX_F64))
    return nrxi_fail(&s->env, NRX_E_NUMERIC, "nrx_dyn_stream_push: a row is not finite");
  while (rows && st == NRX_OK) {
    take = s->block - s->fill;
    if (take > rows) take = rows;
    memcpy(s->buf + (c + s->fill) * c, a, take * c * sizeof(double));
    s->fill += take;
    s->rows += take;
    a += take * c;
    rows -= take;
    if (s->fill == s->block) st = nrx_dyn_stream_finish(s);
  }
  return st;
}

/* -- derivatives -- */

/* Fornberg (1988): weights w [n] of the m-th derivative (m = 0, 1) at z from nodes x [n]; c is 2 n
 * scratch. */
static void nrxi_dyn_fornberg(double z, const double *x, size_t n, double *w0, double *w1)
{
  size_t i, j;
  double c1 = 1.0, c4 = x[0] - z;
  for (i = 0; i < n; i++) w0[i] = w1[i] = 0.0;
  w0[0] = 1.0;
  for (i = 1; i < n; i++) {
    double c2 = 1.0, c5 = c4, c3;
    c4 = x[i] - z;
    for (j = 0; j < i; j++) {
      c3 = x[i] - x[j];
      c2 *= c3;
      if (j == i - 1) {
        w1[i] = c1 * (w0[i - 1] - c5 * w1[i - 1]) / c2;
        w0[i] = -c1 * c5 * w0[i - 1] / c2;
      }
      w1[j] = (c4 * w1[j] - w0[j]) / c3;
      w0[j] = c4 * w0[j] / c3;
    }
    c1 = c2;
  }
}

static int nrxi_dyn_row_ok(size_t d, const double *x) { return nrxi_all_finite(x, d, NRX_F64); }

static void nrxi_dyn_fd(size_t n, size_t d, const double *t, double dt, const double *x, size_t order,
    double *dx)
{
  size_t i, j, k, half = order / 2, width = order + 1;
  double node[32], w0[32], w1[32], nothing = HUGE_VAL - HUGE_VAL;
  int complete = nrxi_all_finite(x, n * d, NRX_F64);
  for (i = 0; i < n; i++) {
    size_t first = i < half ? 0 : i + half >= n ? n - width : i - half;
    int ok = 1;
    for (k = 0; k < width; k++) {
      node[k] = t ? t[first + k] - t[i] : ((double)(first + k) - (double)i) * dt;
      ok = ok && (complete || nrxi_dyn_row_ok(d, x + (first + k) * d));
    }
    if (t || first != i - half || i == half) nrxi_dyn_fornberg(0.0, node, width, w0, w1);
    if (!t && complete && i == half && i + half < n) { /* the whole interior with the same weights */
      const double *a = x;
      size_t m = (n - 2 * half) * d;
      double *NRX_RESTRICT o = dx + half * d;
      for (k = 0; k < m; k++) o[k] = w1[half] * a[half * d + k];
      for (j = 0; j < half; j++) for (k = 0; k < m; k++)
        o[k] += w1[width - 1 - j] * (a[(width - 1 - j) * d + k] - a[j * d + k]);
      i = n - half - 1;
      continue;
    }
    for (j = 0; j < d; j++) {
      double v = 0.0;
      for (k = 0; k < width; k++) v += w1[k] * x[(first + k) * d + j];
      dx[i * d + j] = ok ? v : nothing;
    }
  }
}

/* Local polynomial fits: value and slope at every sample; windows are shifted, not shrunk, at the ends. */
static nrx_status nrxi_dyn_savgol(size_t n, size_t d, const double *t, double dt, const double *x,
    size_t window, size_t degree, double *dx, double *smooth, const nrx_env *env)
{
  size_t i, j, k, half = window / 2, c = degree + 1, lw = nrxi_dyn_lstsq_work(window, c, window);
  double *m = (double *)nrxi_alloc(env, window * c + window * window + 2 * window + lw, sizeof(double)), *A,
      *B, *w0, *w1, nothing = HUGE_VAL - HUGE_VAL;
  size_t last = (size_t)-1;
  nrx_status st = NRX_OK;
  if (!m) return NRX_E_NOMEM;
  A = m; B = A + window * c; w0 = B + window * window; w1 = w0 + window;
  for (i = 0; i < n && st == NRX_OK; i++) {
    size_t first = i < half ? 0 : i + window - half > n ? n - window : i - half, offset = i - first;
    int ok = 1;
    if (t || offset != last) { /* weights = rows 0 and 1 of the pseudo-inverse of the scaled Vandermonde
            matrix */
      double scale = t ? t[first + window - 1] - t[first] : (double)window * dt;
      for (k = 0; k < window; k++) {
        double s = t ? (t[first + k] - t[i]) / scale : ((double)k - (double)offset) * dt / scale, v = 1.0;
        for (j = 0; j < c; j++, v *= s) A[k * c + j] = v;
      }
      memset(B, 0, window * window * sizeof(double));
      for (k = 0; k < window; k++) B[k * window + k] = 1.0;
      st = nrxi_dyn_lstsq(window, c, A, B, window, -1.0, NULL, w1 + window);
      for (k = 0; k < window; k++) { w0[k] = B[k]; w1[k] = B[window + k] / scale; }
      last = offset;
    }
    for (k = 0; k < window; k++) ok = ok && nrxi_dyn_row_ok(d, x + (first + k) * d);
    for (j = 0; j < d; j++) {
      double a = 0.0, b = 0.0;
      for (k = 0; k < window; k++) { a += w0[k] * x[(first + k) * d + j];
        b += w1[k] * x[(first + k) * d + j]; }
      if (dx) dx[i * d + j] = ok ? b : nothing;
      if (smooth) smooth[i * d + j] = ok ? a : nothing;
    }
  }
  nrxi_free(env, m);
  return st;
}

/* Cubic smoothing spline of one column (Reinsch 1967): (R + lambda Q^T Q) g = Q^T y, banded; returns the GCV
   score with the trace of the hat matrix from the central band of the inverse (Hutchinson & de Hoog 1985). */
static double nrxi_dyn_spline(size_t n, const double *h, const double *y, double lambda, double *w,
    double *fit, double *slope)
{
  size_t i, m = n - 2;
  double *a = w, *b = a + m, *c = b + m, *g = c + m, *s0 = g + n, *s1 = s0 + n + 2, *s2 = s1 + n + 2, rss = 0,
      trace = 0;
  for (i = 0; i < m; i++) { /* band of R + lambda Q^T Q */
    double p = 1 / h[i], q = 1 / h[i + 1];
    a[i] = (h[i] + h[i + 1]) / 3 + lambda * (p * p + (p + q) * (p + q) + q * q);
    b[i] = i + 1 < m ? h[i + 1] / 6 - lambda * q * ((p + q) + (q + 1 / h[i + 2])) : 0;
    c[i] = i + 2 < m ? lambda * q / h[i + 2] : 0;
    g[i + 1] = (y[i + 2] - y[i + 1]) * q - (y[i + 1] - y[i]) * p;
    if (i + 2 < m) c[i] = lambda / (h[i + 1] * h[i + 2]);
  }
  for (i = 0; i < m; i++) { /* L D L^T of the pentadiagonal band */
    double l1, l2;
    if (i + 1 < m) { l1 = b[i] / a[i]; l2 = i + 2 < m ? c[i] / a[i] : 0;
      a[i + 1] -= l1 * b[i];
      if (i + 2 < m) { b[i + 1] -= l1 * c[i]; a[i + 2] -= l2 * c[i]; }
      b[i] = l1;
      c[i] = l2;
      g[i + 2] -= l1 * g[i + 1];
      if (i + 2 < m) g[i + 3] -= l2 * g[i + 1];
    }
  }
  for (i = 0; i < m; i++) g[i + 1] /= a[i];
  for (i = m; i-- > 0;) {
    if (i + 1 < m) g[i + 1] -= b[i] * g[i + 2];
    if (i + 2 < m) g[i + 1] -= c[i] * g[i + 3];
  }
  g[0] = g[n - 1] = 0;
  for (i = 0; i < n + 2; i++) s0[i] = s1[i] = s2[i] = 0;
  for (i = m; i-- > 0;) { /* central band of the inverse */
    double l1 = i + 1 < m ? b[i] : 0, l2 = i + 2 < m ? c[i] : 0;
    s1[i] = -l1 * s0[i + 1] - l2 * s1[i + 1];
    s2[i] = -l1 * s1[i + 1] - l2 * s0[i + 2];
    s0[i] = 1 / a[i] - l1 * s1[i] - l2 * s2[i];
  }
  for (i = 0; i < m; i++) { /* trace of Q B^-1 Q^T */
    double p = 1 / h[i], q = 1 / h[i + 1], r = i + 1 < m ? 1 / h[i + 2] : 0;
    trace += s0[i] * (p * p + (p + q) * (p + q) + q * q);
    if (i + 1 < m) trace -= 2 * s1[i] * q * ((p + q) + (q + r));
    if (i + 2 < m) trace += 2 * s2[i] * q * r;
  }
  for (i = 0; i < n; i++) {
    double q = 0;
    if (i >= 1 && i <= m) q -= g[i] * (1 / h[i - 1] + 1 / h[i]);
    if (i + 2 < n) q += g[i + 1] / h[i];
    if (i >= 2) q += g[i - 1] / h[i - 1];
    fit[i] = y[i] - lambda * q;
    rss += lambda * q * lambda * q;
  }
  for (i = 0; slope && i < n; i++)
    slope[i] = i + 1 < n ? (fit[i + 1] - fit[i]) / h[i] - h[i] * (2 * g[i] + g[i + 1]) / 6
            : (fit[i] - fit[i - 1]) / h[i - 1] + h[i - 1] * (2 * g[i] + g[i - 1]) / 6;
  trace *= lambda; /* trace of I - hat */
  return trace > 0 ? (double)n * rss / (trace * trace) : HUGE_VAL;
}

static nrx_status nrxi_dyn_spline_all(size_t n, size_t d, const double *t, double dt, const double *x,
    double alpha, double *dx, double *smooth, const nrx_env *env)
{
  double *m = (double *)nrxi_alloc(env, 11 * n + 32, sizeof(double)), *h, *y, *fit, *slope, *w;
  size_t i, j;
  if (!m) return NRX_E_NOMEM;
  h = m; y = h + n; fit = y + n; slope = fit + n; w = slope + n;
  for (i = 0; i + 1 < n; i++) h[i] = t ? t[i + 1] - t[i] : dt;
  for (j = 0; j < d; j++) {
    double lambda = alpha, step = 0;
    for (i = 0; i < n; i++) y[i] = x[i * d + j];
    for (i = 0; i + 1 < n; i++) step += h[i] / (double)(n - 1);
    if (!(alpha > 0)) { /* golden section on log lambda */
      double unit = step * step * step, lo = log(1e-8), hi = log(1e8), ratio = 0.6180339887498949, a, b, fa,
          fb;
      int it;
      a = hi - ratio * (hi - lo); b = lo + ratio * (hi - lo);
      fa = nrxi_dyn_spline(n, h, y, unit * exp(a), w, fit, NULL);
      fb = nrxi_dyn_spline(n, h, y, unit * exp(b), w, fit, NULL);
      for (it = 0; it < 40; it++)
        if (fa < fb) { hi = b; b = a; fb = fa; a = hi - ratio * (hi - lo);
          fa = nrxi_dyn_spline(n, h, y, unit * exp(a), w, fit, NULL); }
        else { lo = a; a = b; fa = fb; b = lo + ratio * (hi - lo);
          fb = nrxi_dyn_spline(n, h, y, unit * exp(b), w, fit, NULL); }
      lambda = unit * exp(0.5 * (lo + hi));
    }
    (void)nrxi_dyn_spline(n, h, y, lambda, w, fit, slope);
    for (i = 0; i < n; i++) { if (dx) dx[i * d + j] = slope[i]; if (smooth) smooth[i * d + j] = fit[i]; }
  }
  nrxi_free(env, m);
  return NRX_OK;
}

/* Chartrand's lagged diffusivity, one column: unknown slopes u on n-1 cells, data f - f(0), A = running sum
   times dt. The normal matrix is dense but (A^T A + alpha L) v = r is solved by conjugate gradients with O(n)
   products. */
static void nrxi_dyn_tv_apply(size_t m, double dt, double alpha, const double *q, const double *u,
    double *out, double *w)
{
  size_t i;
  double s = 0.0;
  for (i = 0; i < m; i++) { s += u[i] * dt; w[i] = s; }
  s = 0.0;
  for (i = m; i-- > 0;) { s += w[i] * dt; out[i] = s; }
  for (i = 0; i + 1 < m; i++) {
    double g = alpha * q[i] * (u[i + 1] - u[i]) / dt;
    out[i] -= g;
    out[i + 1] += g;
  }
}

static nrx_status nrxi_dyn_tv(size_t n, size_t d, double dt, const double *x, double alpha, double *dx,
    const nrx_env *env)
{
  size_t m = n - 1, i, j, it, cg;
  double *mem = (double *)nrxi_alloc(env, 8 * n, sizeof(double)), *u, *q, *b, *r, *p, *Ap, *w, *y;
  if (!mem) return NRX_E_NOMEM;
  u = mem; q = u + n; b = q + n; r = b + n; p = r + n; Ap = p + n; w = Ap + n; y = w + n;
  for (j = 0; j < d; j++) {
    double s = 0.0;
    for (i = 0; i < m; i++) { y[i] = x[(i + 1) * d + j] - x[j];
      u[i] = (x[(i + 1) * d + j] - x[i * d + j]) / dt; }
    for (i = m; i-- > 0;) { s += y[i] * dt; b[i] = s; }
    for (it = 0; it < 30; it++) {
      double rr = 0, stop, change = 0, size = 0;
      for (i = 0; i + 1 < m; i++) q[i] = 1.0 / sqrt((u[i + 1] - u[i]) * (u[i + 1] - u[i]) / (dt * dt) + 1e-6);
      nrxi_dyn_tv_apply(m, dt, alpha, q, u, Ap, w);
      for (i = 0; i < m; i++) { y[i] = u[i]; r[i] = b[i] - Ap[i]; p[i] = r[i]; rr += r[i] * r[i]; }
      stop = 1e-16 * rr;
      for (cg = 0; cg < 4 * m && rr > stop && rr > 0; cg++) {
        double pap = 0, a, rn = 0;
        nrxi_dyn_tv_apply(m, dt, alpha, q, p, Ap, w);
        for (i = 0; i < m; i++) pap += p[i] * Ap[i];
        a = rr / pap;
        for (i = 0; i < m; i++) { u[i] += a * p[i]; r[i] -= a * Ap[i]; rn += r[i] * r[i]; }
        for (i = 0; i < m; i++) p[i] = r[i] + rn / rr * p[i];
        rr = rn;
      }
      for (i = 0; i < m; i++) { change += (u[i] - y[i]) * (u[i] - y[i]); size += u[i] * u[i]; }
      if (change <= 1e-12 * size) break;
    }
    for (i = 0; i < n; i++) dx[i * d + j] = i == 0 ? u[0] : i == m ? u[m - 1] : 0.5 * (u[i - 1] + u[i]);
  }
  nrxi_free(env, mem);
  return NRX_OK;
}

NRX_DEF nrx_status nrx_dyn_derivative(size_t n, size_t d, const double *t, double dt, const double *x,
                   const nrx_dyn_derivative_desc *desc, double *dx, double *smooth)
{
  nrx_dyn_derivative_desc q = NRX_ZERO;
  size_t i, need;
  nrx_status st = NRX_OK;
  if (desc) q = *desc;
  if (q.order == 0) q.order = 2;
  if (q.window == 0) q.window = 11;
  if (q.degree == 0) q.degree = 3;
  if (!x || !dx || d == 0) return nrxi_fail(&q.env, NRX_E_ARG, "nrx_dyn_derivative: needs samples and room");
  need = q.method == NRX_DYN_FINITE_DIFFERENCE ? q.order + 1 : q.method == NRX_DYN_SAVITZKY_GOLAY
      || q.method == NRX_DYN_SMOOTHED ? q.window : 4;
  if (n < need) return nrxi_fail(&q.env, NRX_E_ARG, "nrx_dyn_derivative: %zu samples, this method needs %zu",
      n, need);
  if (q.method < NRX_DYN_FINITE_DIFFERENCE || q.method > NRX_DYN_TV || q.order % 2 || q.order > 30
      || q.window <= q.degree || q.degree > 12)
    return nrxi_fail(&q.env, NRX_E_ARG,
        "nrx_dyn_derivative: unknown method, odd or large order, or window <= degree");
  if (!t && !(dt > 0)) return nrxi_fail(&q.env, NRX_E_ARG, "nrx_dyn_derivative: needs times or dt > 0");
  for (i = 1; t && i < n; i++)
    if (!(t[i] > t[i - 1])) return nrxi_fail(&q.env, NRX_E_ARG,
        "nrx_dyn_derivative: t[%zu] = %g does not increase (duplicated or unsorted)", i, t[i]);
  if (t && q.method >= NRX_DYN_TV) return nrxi_fail(&q.env, NRX_E_ARG,
      "nrx_dyn_derivative: this method needs equally spaced samples (dt, t = NULL)");
  if (q.method >= NRX_DYN_SPLINE && !nrxi_all_finite(x, n * d, NRX_F64))
    return nrxi_fail(&q.env, NRX_E_NUMERIC, "nrx_dyn_derivative: this method cannot skip missing samples");
  if (smooth) memcpy(smooth, x, n * d * sizeof(double));
  switch (q.method) {
  case NRX_DYN_FINITE_DIFFERENCE: nrxi_dyn_fd(n, d, t, dt, x, q.order, dx); break;
  case NRX_DYN_SAVITZKY_GOLAY: st = nrxi_dyn_savgol(n, d, t, dt, x, q.window, q.degree, dx, smooth, &q.env);
  break;
  case NRX_DYN_SMOOTHED: {
    double *s = smooth ? smooth : (double *)nrxi_alloc(&q.env, n * d, sizeof(double));
    st = s ? nrxi_dyn_savgol(n, d, t, dt, x, q.window, q.degree, NULL, s, &q.env) : NRX_E_NOMEM;
    if (st == NRX_OK) nrxi_dyn_fd(n, d, t, dt, s, 2, dx);
    if (!smooth) nrxi_free(&q.env, s);
    break;
  }
  case NRX_DYN_SPLINE: st = nrxi_dyn_spline_all(n, d, t, dt, x, q.alpha, dx, smooth, &q.env); break;
  default: st = nrxi_dyn_tv(n, d, dt, x, q.alpha > 0 ? q.alpha : 0.01, dx, &q.env); break;
  }
  return st == NRX_OK ? st : nrxi_fail(&q.env, st, "nrx_dyn_derivative: %s", nrx_status_string(st));
}

/* -- Gram matrix of column blocks: G += F^T F, upper triangle, F [q][ld] with n rows used (a multiple of 4,
 * zero padded) -- */

#define NRXI_DYN_ROWS 256 /* 64 columns stay in the second-level cache, sums are rarely stored */

NRXI_DYN_HOT void nrxi_dyn_gram_body(size_t q, size_t n, const double *F, size_t ld, double *G)
{
  size_t i, j, r, a, b;
  for (i = 0; i < q; i += 4)
    for (j = i; j < q; j += 4) {
      size_t mi = q - i < 4 ? q - i : 4, mj = q - j < 4 ? q - j : 4;
#if defined(NRXI_VEC) && __FLT_EVAL_METHOD__ == 0 /* with excess precision vector times scalar does not
            compile */
      { /* at the edges the last column stands in for those that are not there */
        const double *x = F + i * ld, *xb = F + (i + (mi > 1)) * ld,
            *xc = F + (i + (mi > 2 ? 2 : mi - 1)) * ld,
            *xd = F + (i + mi - 1) * ld, *y = F + j * ld, *yb = F + (j + (mj > 1)) * ld,
            *yc = F + (j + (mj > 2 ? 2 : mj - 1)) * ld, *yd = F + (j + mj - 1) * ld;
        nrxi_f64x4 s[16];
        memset(s, 0, sizeof s);
        for (r = 0; r < n; r += 4) {
          nrxi_f64x4 x0 = *(const nrxi_f64x4u *)(x + r), x1 = *(const nrxi_f64x4u *)(xb + r),
              x2 = *(const nrxi_f64x4u *)(xc + r), x3 = *(const nrxi_f64x4u *)(xd + r), v;
          v = *(const nrxi_f64x4u *)(y + r);
          s[0] += x0 * v; s[4] += x1 * v; s[8] += x2 * v; s[12] += x3 * v;
          v = *(const nrxi_f64x4u *)(yb + r);
          s[1] += x0 * v; s[5] += x1 * v; s[9] += x2 * v; s[13] += x3 * v;
          v = *(const nrxi_f64x4u *)(yc + r);
          s[2] += x0 * v; s[6] += x1 * v; s[10] += x2 * v; s[14] += x3 * v;
          v = *(const nrxi_f64x4u *)(yd + r);
          s[3] += x0 * v; s[7] += x1 * v; s[11] += x2 * v; s[15] += x3 * v;
        }
        for (a = 0; a < mi; a++)
          for (b = 0; b < mj; b++) {
            nrxi_f64x4 v = s[4 * a + b];
            G[(i + a) * q + j + b] += (v[0] + v[1]) + (v[2] + v[3]);
          }
        continue;
      }
#endif
      for (a = 0; a < mi; a++)
        for (b = 0; b < mj; b++) {
          const double *x = F + (i + a) * ld, *y = F + (j + b) * ld;
          double s0 = 0, s1 = 0;
          for (r = 0; r + 1 < n; r += 2) { s0 += x[r] * y[r]; s1 += x[r + 1] * y[r + 1]; }
          G[(i + a) * q + j + b] += s0 + s1;
        }
    }
}
#if defined(NRXI_X86)
/* the 16 accumulators need the 32 registers of AVX-512VL; with 16 they spill, and it is still the faster
 * tile */
NRXI_AVX512 static void nrxi_dyn_gram_avx512(size_t q, size_t n, const double *F, size_t ld, double *G) {
  nrxi_dyn_gram_body(q, n, F, ld, G); }
NRXI_AVX2 static void nrxi_dyn_gram_avx2(size_t q, size_t n, const double *F, size_t ld, double *G) {
  nrxi_dyn_gram_body(q, n, F, ld, G); }
#endif
static void nrxi_dyn_gram(size_t q, size_t n, const double *F, size_t ld, double *G)
{
#if defined(NRXI_X86)
  if (nrxi_cpu_avx512()) { nrxi_dyn_gram_avx512(q, n, F, ld, G); return; }
  if (nrxi_cpu_avx2()) { nrxi_dyn_gram_avx2(q, n, F, ld, G); return; }
#endif
  nrxi_dyn_gram_body(q, n, F, ld, G);
}

/* -- the problem: rows of [Theta Y], either in memory (A) or evaluated block by block from samples -- */

typedef struct nrxi_dyn_problem {
  const nrx_dyn_sindy_desc *d;
  nrxi_dyn_terms terms;
  size_t p, n, q, rows, sub;   /* terms, equations, p + n, usable rows, columns of the compressed problem */
  double *in, *target;         /* [rows][inputs], [rows][n]: compacted samples */
  double *A;                   /* [rows][q] or NULL */
  double *R, *G;               /* [q][q] triangular factor; Gram matrix (upper part) */
  double *w;                   /* scratch of optimisers */
  double *coef;                /* [n][p] */
  unsigned char *keep;         /* [n][p] */
  double inflate;              /* > 0: terms below 3 standard errors times this are dropped (correlated weak
            rows) */
  double *floor;               /* [n] mean square error of the targets themselves, as far as known */
  size_t sweeps;
} nrxi_dyn_problem;

/* Columns of rows first .. first + m - 1 into F [q][ld], zero padded to a multiple of 4; returns the padded
 * count. */
static size_t nrxi_dyn_fill(const nrxi_dyn_problem *P, size_t first, size_t m, double *F, size_t ld)
{
  size_t r, j, pad = (m + 3) & ~(size_t)3;
  if (P->A) for (r = 0; r < m; r++) for (j = 0; j < P->q; j++) F[j * ld + r] = P->A[(first + r) * P->q + j];
  else {
    nrxi_dyn_terms_eval(&P->terms, m, P->in + first * P->terms.d, F, ld);
    for (j = 0; j < P->n; j++) for (r = 0; r < m; r++)
      F[(P->p + j) * ld + r] = P->target[(first + r) * P->n + j];
  }
  for (j = 0; j < P->q; j++) for (r = m; r < pad; r++) F[j * ld + r] = 0.0;
  return pad;
}

/* Compresses the chosen columns (NULL = all; targets always) by streaming QR: R of size c = chosen + n.
 * Bootstrap weights are counts. */
static nrx_status nrxi_dyn_compress(nrxi_dyn_problem *P, const size_t *chosen, size_t count,
    const unsigned *weight, double *R)
{
  const nrx_env *env = &P->d->env;
  size_t c = count + P->n, r, j, k, first;
  nrx_dyn_stream s;
  double *F, *row;
  nrx_status st = nrx_dyn_stream_create(&s, c, env);
  F = (double *)nrxi_alloc(env, P->q * NRXI_DYN_ROWS + c * NRXI_DYN_ROWS, sizeof(double));
  if (st == NRX_OK && !F) st = NRX_E_NOMEM;
  row = F ? F + P->q * NRXI_DYN_ROWS : NULL;
  for (first = 0; st == NRX_OK && first < P->rows; first += NRXI_DYN_ROWS) {
    size_t m = P->rows - first < NRXI_DYN_ROWS ? P->rows - first : NRXI_DYN_ROWS, used = 0;
    (void)nrxi_dyn_fill(P, first, m, F, NRXI_DYN_ROWS);
    for (r = 0; r < m; r++) {
      double scale = 1.0;
      if (weight) { if (!weight[first + r]) continue; scale = sqrt((double)weight[first + r]); }
      for (j = 0; j < count; j++) row[used * c + j] = scale * F[(chosen ? chosen[j] : j) * NRXI_DYN_ROWS + r];
      for (k = 0; k < P->n; k++) row[used * c + count + k] = scale * F[(P->p + k) * NRXI_DYN_ROWS + r];
      used++;
    }
    st = nrx_dyn_stream_push(&s, used, row);
  }
  if (st == NRX_OK) st = nrx_dyn_stream_finish(&s);
  if (st == NRX_OK) memcpy(R, s.R, c * c * sizeof(double));
  nrx_dyn_stream_free(&s);
  nrxi_free(env, F);
  return st;
}

static nrx_status nrxi_dyn_gram_all(nrxi_dyn_problem *P, const unsigned *weight)
{
  const nrx_env *env = &P->d->env;
  size_t first, r, j;
  double *F = (double *)nrxi_alloc(env, P->q * NRXI_DYN_ROWS, sizeof(double));
  if (!F) return NRX_E_NOMEM;
  memset(P->G, 0, P->q * P->q * sizeof(double));
  for (first = 0; first < P->rows; first += NRXI_DYN_ROWS) {
    size_t m = P->rows - first < NRXI_DYN_ROWS ? P->rows - first : NRXI_DYN_ROWS,
        pad = nrxi_dyn_fill(P, first, m, F, NRXI_DYN_ROWS);
    for (r = 0; weight && r < m; r++)
      for (j = 0; j < P->q; j++) F[j * NRXI_DYN_ROWS + r] *= sqrt((double)weight[first + r]);
    nrxi_dyn_gram(P->q, pad, F, NRXI_DYN_ROWS, P->G);
  }
  nrxi_free(env, F);
  return nrxi_all_finite(P->G, P->q * P->q, NRX_F64) ? NRX_OK : NRX_E_NUMERIC;
}

static void nrxi_dyn_gram_of_r(nrxi_dyn_problem *P)
{
  size_t i, j, k, q = P->q;
  for (i = 0; i < q; i++)
    for (j = i; j < q; j++) {
      double s = 0.0;
      for (k = 0; k <= i; k++) s += P->R[k * q + i] * P->R[k * q + j];
      P->G[i * q + j] = s;
    }
}

/* Least squares of target column y on the active columns; ridge from the Gram matrix, else from R. x
 * [active]. */
static nrx_status nrxi_dyn_regress(nrxi_dyn_problem *P, const size_t *active, size_t m, size_t y,
    double alpha, double *x)
{
  size_t i, j, q = P->q, rank = m;
  double *a = P->w;
  nrx_status st;
  if (m == 0) return NRX_OK;
  if (alpha > 0) {
    for (i = 0; i < m; i++) {
      for (j = 0; j <= i; j++) a[i * m + j] = P->G[active[j] * q + active[i]];
      a[i * m + i] += alpha;
      x[i] = P->G[active[i] * q + P->p + y];
    }
    st = nrxi_dyn_cholesky(m, a);
    return st == NRX_OK ? nrxi_dyn_cholesky_solve(m, a, x, 1) : st;
  }
  {
    double *b = a + q * m, *work = b + q;
    for (i = 0; i < q; i++) {
      for (j = 0; j < m; j++) a[i * m + j] = P->R[i * q + active[j]];
      b[i] = P->R[i * q + P->p + y];
    }
    for (j = 0; j < m; j++) { /* unit columns: the rank decision must not depend on units */
      double s = 0.0;
      for (i = 0; i < q; i++) s += a[i * m + j] * a[i * m + j];
      x[j] = s > 0 ? 1.0 / sqrt(s) : 0.0;
      for (i = 0; i < q; i++) a[i * m + j] *= x[j];
    }
    st = nrxi_dyn_lstsq(q, m, a, b, 1, 1e-14, &rank, work);
    for (j = 0; j < m; j++) x[j] *= b[j];
    if (st == NRX_OK && rank < m) st = NRX_E_NUMERIC;
  }
  return st;
}

/* Residual sum of squares of a support, from R. */
static double nrxi_dyn_sse(const nrxi_dyn_problem *P, const size_t *active, size_t m, size_t y,
    const double *x)
{
  size_t i, j, q = P->q;
  double s = 0.0;
  for (i = 0; i < q; i++) {
    double v = P->R[i * q + P->p + y];
    for (j = 0; j < m; j++) v -= P->R[i * q + active[j]] * x[j];
    s += v * v;
  }
  return s;
}

static double nrxi_dyn_aicc(double sse, double rows, double k)
{
  double n = nrxi_dyn_max(rows, k + 3);
  return n * log(nrxi_dyn_max(sse, 1e-300) / n) + 2 * k + 2 * k * (k + 1) / (n - k - 1);
}

/* Index of the active term with the smallest |x| / standard error, and that quotient; from R. */
static size_t nrxi_dyn_weakest(nrxi_dyn_problem *P, const size_t *active, size_t m, size_t y, const double *x,
    double *quotient)
{
  size_t i, j, l, q = P->q, worst = 0;
  double *a = P->w, *tau = a + q * m, *e = tau + 2 * m, sse = nrxi_dyn_sse(P, active, m, y, x);
  *quotient = HUGE_VAL;
  for (i = 0; i < q; i++) for (j = 0; j < m; j++) a[i * m + j] = P->R[i * q + active[j]];
  if (nrxi_dyn_qr(q, m, a, tau, e) != NRX_OK) return 0;
  sse = sqrt(sse / nrxi_dyn_max(1.0, (double)P->rows - (double)m)) * P->inflate;
  for (j = 0; j < m; j++) { /* |R^-T e_j| */
    double s = 0, t;
    for (i = 0; i < m; i++) {
      e[i] = i == j;
      for (l = 0; l < i; l++) e[i] -= a[l * m + i] * e[l];
      e[i] /= a[i * m + i];
      s += e[i] * e[i];
    }
    t = fabs(x[j]) / (sse * sqrt(s) + 1e-300);
    if (t < *quotient) { *quotient = t; worst = j; }
  }
  return worst;
}

static nrx_status nrxi_dyn_stlsq(nrxi_dyn_problem *P, const double *norm)
{
  size_t y, j, m, *active = (size_t *)nrxi_alloc(&P->d->env, P->p + 1, sizeof(size_t) + sizeof(double));
  double *x, threshold = P->d->threshold > 0 ? P->d->threshold : 0.1,
      alpha = P->d->alpha < 0 ? 0.0 : P->d->alpha > 0 ? P->d->alpha : 0.05;
  int it, limit = P->d->max_iterations > 0 ? P->d->max_iterations : 20;
  nrx_status st = NRX_OK;
  if (!active) return NRX_E_NOMEM;
  x = (double *)(void *)(active + P->p + 1);
  P->sweeps = 0;
  for (y = 0; y < P->n && st == NRX_OK; y++) {
    unsigned char *keep = P->keep + y * P->p;
    double *coef = P->coef + y * P->p;
    memset(keep, 1, P->p);
    for (it = 0; it < limit && st == NRX_OK; it++) {
      size_t left = 0;
      for (m = 0, j = 0; j < P->p; j++) if (keep[j]) active[m++] = j;
      memset(coef, 0, P->p * sizeof(double));
      st = nrxi_dyn_regress(P, active, m, y, alpha, x);
      for (j = 0; j < m && st == NRX_OK; j++) {
        double size = fabs(x[j]) * (norm ? norm[active[j]] : 1.0);
        if (size >= threshold) { coef[active[j]] = x[j]; left++; }
        else keep[active[j]] = 0;
      }
      if ((size_t)it + 1 > P->sweeps) P->sweeps = (size_t)it + 1;
      if (left == m) break;
    }
    while (P->inflate > 0 && st == NRX_OK) { /* terms the noise explains go, weakest first */
      double quotient;
      size_t worst;
      for (m = 0, j = 0; j < P->p; j++) if (keep[j]) active[m++] = j;
      if (m < 2) break;
      st = nrxi_dyn_regress(P, active, m, y, 0.0, x);
      for (j = 0; j < m && st == NRX_OK; j++) coef[active[j]] = x[j];
      worst = nrxi_dyn_weakest(P, active, m, y, x, &quotient);
      if (!(quotient < 3.0)) break;
      keep[active[worst]] = 0;
      coef[active[worst]] = 0;
    }
  }
  nrxi_free(&P->d->env, active);
  return st;
}

/* Least squares on the support under C vec(W) = c: the optimality system of (W_S, multipliers), minimum norm
 * where constraints repeat. */
static nrx_status nrxi_dyn_constrained_refit(nrxi_dyn_problem *P, size_t nc, const double *C, const double *c)
{
  const nrx_env *env = &P->d->env;
  size_t p = P->p, N = p * P->n, m = 0, i, j, k, size, *s = (size_t *)nrxi_alloc(env, N + 1, sizeof(size_t));
  double *K, *b;
  nrx_status st;
  if (!s) return NRX_E_NOMEM;
  for (i = 0; i < N; i++) if (P->keep[i]) s[m++] = i;
  size = m + nc;
  K = (double *)nrxi_calloc(env, size * (size + 1) + nrxi_dyn_lstsq_work(size, size, 1), sizeof(double));
  if (!K) { nrxi_free(env, s); return NRX_E_NOMEM; }
  b = K + size * size;
  for (i = 0; i < m; i++) {
    for (j = 0; j < m; j++)
      if (s[i] / p == s[j] / p) { size_t a = s[i] % p, d = s[j] % p;
        K[i * size + j] = P->G[(a < d ? a : d) * P->q + (a < d ? d : a)]; }
    b[i] = P->G[(s[i] % p) * P->q + p + s[i] / p];
    for (k = 0; k < nc; k++) K[i * size + m + k] = K[(m + k) * size + i] = C[k * N + s[i]];
  }
  for (k = 0; k < nc; k++) b[m + k] = c[k];
  st = nrxi_dyn_lstsq(size, size, K, b, 1, -1.0, NULL, b + size);
  for (i = 0; i < m && st == NRX_OK; i++) P->coef[s[i]] = b[i];
  nrxi_free(env, K);
  nrxi_free(env, s);
  return st;
}

/* SR3, optionally with linear constraints C vec(W) = c; one Cholesky factor of H = G + I / nu serves every
 * equation. */
static nrx_status nrxi_dyn_sr3(nrxi_dyn_problem *P, size_t nc, const double *C, const double *c)
{
  const nrx_env *env = &P->d->env;
  size_t p = P->p, n = P->n, N = p * n, i, j, y, k;
  double nu = P->d->nu > 0 ? P->d->nu : 1.0, lambda = P->d->lambda > 0 ? P->d->lambda : 0.005,
      w = lambda * nu;
  double *mem = (double *)nrxi_alloc(env, p * p + 2 * N + nc * N + nc * nc + nc + 8, sizeof(double)), *H, *W,
      *U, *HC, *S, *r;
  int it, limit = P->d->max_iterations > 0 ? P->d->max_iterations : 200;
  nrx_status st;
  if (!mem) return NRX_E_NOMEM;
  H = mem; W = H + p * p; U = W + N; HC = U + N; S = HC + nc * N; r = S + nc * nc;
  for (i = 0; i < p; i++) {
    for (j = 0; j <= i; j++) H[i * p + j] = P->G[j * P->q + i];
    H[i * p + i] += 1.0 / nu;
  }
  st = nrxi_dyn_cholesky(p, H);
  for (k = 0; k < nc && st == NRX_OK; k++) { /* H^-1 C^T, rows of HC */
    memcpy(HC + k * N, C + k * N, N * sizeof(double));
    for (y = 0; y < n && st == NRX_OK; y++) st = nrxi_dyn_cholesky_solve(p, H, HC + k * N + y * p, 1);
  }
  for (k = 0; k < nc; k++)
    for (j = 0; j < nc; j++) {
      double s = 0.0;
      for (i = 0; i < N; i++) s += C[k * N + i] * HC[j * N + i];
      S[k * nc + j] = s;
    }
  if (nc && st == NRX_OK) st = nrxi_dyn_cholesky(nc, S);
  memset(U, 0, N * sizeof(double));
  for (it = 0; it < limit && st == NRX_OK; it++) {
    double change = 0.0;
    for (y = 0; y < n && st == NRX_OK; y++) {
      for (i = 0; i < p; i++) W[y * p + i] = P->G[i * P->q + p + y] + U[y * p + i] / nu;
      st = nrxi_dyn_cholesky_solve(p, H, W + y * p, 1);
    }
    if (nc && st == NRX_OK) {
      for (k = 0; k < nc; k++) {
        r[k] = c[k];
        for (i = 0; i < N; i++) r[k] -= C[k * N + i] * W[i];
      }
      st = nrxi_dyn_cholesky_solve(nc, S, r, 1);
      for (k = 0; k < nc; k++) for (i = 0; i < N; i++) W[i] += HC[k * N + i] * r[k];
    }
    for (i = 0; i < N; i++) {
      double v = W[i], u;
      if (P->d->prox == NRX_DYN_L1) u = v > w ? v - w : v < -w ? v + w : 0.0;
      else if (P->d->prox == NRX_DYN_L2) u = v / (1 + 2 * w);
      else u = fabs(v) > sqrt(2 * w) ? v : 0.0;
      change += (u - U[i]) * (u - U[i]);
      U[i] = u;
    }
    P->sweeps = (size_t)it + 1;
    if (it && sqrt(change) / nu < 1e-5) break;
  }
  for (i = 0; i < N && st == NRX_OK; i++) {
    P->coef[i] = U[i];
    P->keep[i] = fabs(U[i]) > 1e-14;
  }
  nrxi_free(env, mem);
  return st == NRX_OK && nc ? nrxi_dyn_constrained_refit(P, nc, C, c) : st;
}

/* Energy-preserving constraints of quadratic terms: Q_ijk + Q_jik + Q_kij = 0 for the coefficient of x_j x_k
   in equation i. Returns their number; C [..][n p] may be NULL to count. */
static size_t nrxi_dyn_energy_constraints(const nrxi_dyn_problem *P, double *C)
{
  size_t n = P->n, p = P->p, a, b, c, i, count = 0, s;
  size_t bias = P->terms.lib->no_bias ? 0 : 1;
  for (a = 0; a < n; a++)
    for (b = a; b < n; b++)
      for (c = b; c < n; c++, count++) {
        size_t tri[3][3];
        if (!C) continue;
        tri[0][0] = a; tri[0][1] = b; tri[0][2] = c;
        tri[1][0] = b; tri[1][1] = a; tri[1][2] = c;
        tri[2][0] = c; tri[2][1] = a; tri[2][2] = b;
        for (s = 0; s < 3; s++) {
          size_t lo = tri[s][1], hi = tri[s][2], at = bias + n;
          for (i = 0; i < lo; i++) at += n - i;
          at += hi - lo;
          /* energy x_a (coef of x_b x_c): each distinct monomial collects every equation that feeds it
             once */
          if ((s == 1 && b == a) || (s == 2 && (c == b || c == a))) continue;
          C[count * n * p + tri[s][0] * p + at] += 1.0;
        }
      }
  return count;
}

static nrx_status nrxi_dyn_trapping(nrxi_dyn_problem *P)
{
  size_t nc, N = P->n * P->p;
  double *C;
  nrx_status st;
  if (nrxi_dyn_degree(P->terms.lib) != 2 || P->n < 2 || P->terms.d != P->n || P->terms.lib->pure_powers
      || P->terms.lib->interactions_only)
    return nrxi_fail(&P->d->env, NRX_E_ARG,
        "nrx_dyn_sindy: the trapping optimizer needs the full library of degree 2 and no controls");
  nc = nrxi_dyn_energy_constraints(P, NULL);
  C = nc <= (size_t)-1 / (N + 1) ? (double *)nrxi_calloc(&P->d->env, nc * (N + 1), sizeof(double)) : NULL;
  if (!C) return NRX_E_NOMEM;
  (void)nrxi_dyn_energy_constraints(P, C);
  st = nrxi_dyn_sr3(P, nc, C, C + nc * N);
  nrxi_free(&P->d->env, C);
  return st;
}

/* Backward elimination: drop the smallest scaled coefficient, refit, keep the support of least AICc. */
static nrx_status nrxi_dyn_ssr(nrxi_dyn_problem *P, const double *norm)
{
  size_t y, j, m, worst, *active = (size_t *)nrxi_alloc(&P->d->env, P->p + 1,
      sizeof(size_t) + sizeof(double));
  double *x, alpha = P->d->alpha < 0 ? 0.0 : P->d->alpha > 0 ? P->d->alpha : 0.0;
  nrx_status st = NRX_OK;
  if (!active) return NRX_E_NOMEM;
  x = (double *)(void *)(active + P->p + 1);
  for (y = 0; y < P->n && st == NRX_OK; y++) {
    double best = HUGE_VAL;
    for (m = 0; m < P->p; m++) active[m] = m;
    while (m > 0) {
      double score;
      st = nrxi_dyn_regress(P, active, m, y, alpha, x);
      if (st != NRX_OK && st != NRX_E_NUMERIC) break;
      {
        double sse = nrxi_dyn_sse(P, active, m, y, x), n = (double)P->rows;
        score = P->floor[y] > 0 && sse <= 1.5 * P->floor[y] * n ? -HUGE_VAL
            : nrxi_dyn_aicc(sse + P->floor[y] * n, n, (double)m);
      }
      if (st == NRX_OK && (score < best || score == -HUGE_VAL)) { /* as good as the data themselves: the
            smaller model wins */
        best = score;
        memset(P->keep + y * P->p, 0, P->p);
        memset(P->coef + y * P->p, 0, P->p * sizeof(double));
        for (j = 0; j < m; j++) { P->keep[y * P->p + active[j]] = 1; P->coef[y * P->p + active[j]] = x[j]; }
      }
      st = NRX_OK;
      for (worst = 0, j = 1; j < m; j++)
        if (fabs(x[j]) * norm[active[j]] < fabs(x[worst]) * norm[active[worst]]) worst = j;
      for (j = worst; j + 1 < m; j++) active[j] = active[j + 1];
      m--;
      P->sweeps++;
    }
  }
  nrxi_free(&P->d->env, active);
  return st;
}

/* Forward orthogonal selection on the columns of R by error-reduction ratio, size by BIC. */
static nrx_status nrxi_dyn_frols(nrxi_dyn_problem *P)
{
  const nrx_env *env = &P->d->env;
  size_t p = P->p, q = P->q, y, i, j, k, limit = P->d->max_iterations > 0 ? (size_t)P->d->max_iterations
      : p < 30 ? p : 30;
  double *Q = (double *)nrxi_alloc(env, (p + 1) * q + 2 * p, sizeof(double)), *r, *x;
  size_t *active = (size_t *)nrxi_alloc(env, p + 1, sizeof(size_t));
  nrx_status st = Q && active ? NRX_OK : NRX_E_NOMEM;
  r = Q ? Q + p * q : NULL;
  x = r ? r + q : NULL;
  for (y = 0; y < P->n && st == NRX_OK; y++) {
    double total = 0, left, best, n = (double)P->rows, base_error = P->floor[y] * n;
    size_t m = 0, chosen = 0;
    for (j = 0; j < p; j++) for (i = 0; i < q; i++) Q[j * q + i] = P->R[i * q + j];
    for (i = 0; i < q; i++) { r[i] = P->R[i * q + p + y]; total += r[i] * r[i]; }
    left = total;
    best = n * log(nrxi_dyn_max(total + base_error, 1e-300) / n);
    memset(P->keep + y * p, 0, p);
    while (m < limit && m + 2 < P->rows && left > 1e-28 * total) {
      double top = 0;
      size_t pick = p;
      for (j = 0; j < p; j++) {
        double qq = 0, qy = 0, base = 0;
        for (i = 0; i < q; i++) { qq += Q[j * q + i] * Q[j * q + i]; qy += Q[j * q + i] * r[i];
          base += P->R[i * q + j] * P->R[i * q + j]; }
        if (qq > 1e-20 * base && qy * qy / qq > top) { top = qy * qy / qq; pick = j; }
      }
      if (pick == p) break;
      active[m++] = pick;
      {
        double qq = 0, f;
        const double *v = Q + pick * q;
        for (i = 0; i < q; i++) qq += v[i] * v[i];
        for (f = 0, i = 0; i < q; i++) f += v[i] * r[i];
        for (i = 0; i < q; i++) r[i] -= f / qq * v[i];
        for (j = 0; j < p; j++) {
          if (j == pick) continue;
          for (f = 0, i = 0; i < q; i++) f += v[i] * Q[j * q + i];
          for (i = 0; i < q; i++) Q[j * q + i] -= f / qq * v[i];
        }
        for (i = 0; i < q; i++) Q[pick * q + i] = 0;
      }
      for (left = 0, i = 0; i < q; i++) left += r[i] * r[i];
      {
        double bic = n * log(nrxi_dyn_max(left + base_error, 1e-300) / n) + log(n) * (double)m;
        if (bic < best) { best = bic; chosen = m; }
        if (left <= 1.5 * base_error) { chosen = m; break; } /* as good as the data */
      }
      P->sweeps++;
    }
    memset(P->coef + y * p, 0, p * sizeof(double));
    if (nrxi_dyn_regress(P, active, chosen, y, 0.0, x) == NRX_OK)
      for (k = 0; k < chosen; k++) { P->keep[y * p + active[k]] = 1; P->coef[y * p + active[k]] = x[k]; }
  }
  nrxi_free(env, Q);
  nrxi_free(env, active);
  return st;
}

static nrx_status nrxi_dyn_optimise(nrxi_dyn_problem *P, const unsigned *weight)
{
  double *norm = NULL, alpha = P->d->alpha < 0 ? 0.0 : 1.0;
  size_t i, j, q = P->q;
  nrx_status st;
  int gram_only = P->d->optimizer == NRX_DYN_STLSQ && alpha > 0;
  if (gram_only) st = nrxi_dyn_gram_all(P, weight);
  else {
    st = nrxi_dyn_compress(P, NULL, P->p, weight, P->R);
    if (st == NRX_OK) nrxi_dyn_gram_of_r(P);
  }
  if (st != NRX_OK) return st;
  norm = (double *)nrxi_alloc(&P->d->env, P->p, sizeof(double));
  if (!norm) return NRX_E_NOMEM;
  for (i = 0; i < P->p; i++) norm[i] = sqrt(P->G[i * q + i]);
  if (P->d->normalize && P->d->optimizer == NRX_DYN_STLSQ) /* the ridge acts on scaled columns too */
    for (i = 0; i < P->p; i++) for (j = i; j < q; j++)
      P->G[i * q + j] /= (norm[i] > 0 ? norm[i] : 1) * (j < P->p && norm[j] > 0 ? norm[j] : 1);
  switch (P->d->optimizer) {
  case NRX_DYN_STLSQ: st = nrxi_dyn_stlsq(P, P->d->normalize && !gram_only ? norm : NULL); break;
  case NRX_DYN_SR3: st = nrxi_dyn_sr3(P, P->d->n_constraints, P->d->constraint, P->d->constraint_value);
  break;
  case NRX_DYN_SSR: st = nrxi_dyn_ssr(P, norm); break;
  case NRX_DYN_FROLS: st = nrxi_dyn_frols(P); break;
  default: st = nrxi_dyn_trapping(P); break;
  }
  if (P->d->normalize && gram_only) for (i = 0; i < P->n * P->p; i++)
    P->coef[i] /= norm[i % P->p] > 0 ? norm[i % P->p] : 1.0;
  nrxi_free(&P->d->env, norm);
  return st;
}

/* Median coefficients and inclusion shares over bootstrap samples of the rows. */
static nrx_status nrxi_dyn_ensemble(nrxi_dyn_problem *P, double *inclusion)
{
  const nrx_env *env = &P->d->env;
  size_t B = P->d->ensemble, N = P->n * P->p, b, i, k;
  double *all = B <= (size_t)-1 / (N + 1) ? (double *)nrxi_alloc(env, B * (N + 1), sizeof(double)) : NULL,
      *one, need = P->d->inclusion > 0 ? P->d->inclusion : 0.6;
  unsigned *weight = (unsigned *)nrxi_alloc(env, P->rows, sizeof(unsigned));
  nrx_rng rng;
  nrx_status st = all && weight ? NRX_OK : NRX_E_NOMEM;
  nrx_rng_seed(&rng, P->d->seed, 0);
  for (b = 0; b < B && st == NRX_OK; b++) {
    memset(weight, 0, P->rows * sizeof(unsigned));
    for (i = 0; i < P->rows; i++) weight[nrx_rng_below(&rng, P->rows)]++;
    st = nrxi_dyn_optimise(P, weight);
    for (i = 0; i < N; i++) all[b * N + i] = P->keep[i] ? P->coef[i] : 0.0;
    if (nrxi_progress(env, b + 1, B, 0.0)) st = NRX_E_CANCELLED;
  }
  one = all ? all + B * N : NULL;
  for (i = 0; i < N && st == NRX_OK; i++) {
    size_t hits = 0;
    for (b = 0, k = 0; b < B; b++) { one[k++] = all[b * N + i]; hits += all[b * N + i] != 0.0; }
    nrxi_dyn_sort(B, one);
    inclusion[i] = (double)hits / (double)B;
    P->keep[i] = inclusion[i] >= need;
    P->coef[i] = P->keep[i] ? B % 2 ? one[B / 2] : 0.5 * (one[B / 2] + one[B / 2 - 1]) : 0.0;
  }
  nrxi_free(env, all);
  nrxi_free(env, weight);
  return st;
}

/* -- rows of the weak form -- */

/* phi and phi' weights of one window, trapezoid (the ends vanish): w0 = dt phi, w1 = -phi' / m, k = 0 ..
 * 2m */
static void nrxi_dyn_bump(size_t m, int power, double dt, double *w0, double *w1)
{
  size_t k;
  for (k = 0; k <= 2 * m; k++) {
    double s = ((double)k - (double)m) / (double)m, u = 1.0 - s * s;
    w0[k] = dt * pow(u, power);
    w1[k] = 2.0 * power * s * pow(u, power - 1) / (double)m;
  }
}

/* Replaces samples by weak rows: A [rows][q] for windows that lie inside one trajectory and miss no sample;
   whitened by the covariance of white state noise unless plain. */
static nrx_status nrxi_dyn_weak_rows(nrxi_dyn_problem *P, const nrx_dyn_data *data, const double *in,
    size_t m, size_t stride)
{
  const nrx_env *env = &P->d->env;
  size_t width = 2 * m + 1, d = P->terms.d, q = P->q, tr, first = 0, r, j, k, cap = data->n / stride + 1,
      *start, *group;
  int power = P->d->weak_power > 0 ? P->d->weak_power : 8;
  double *w0 = (double *)nrxi_alloc(env, 2 * width + q * NRXI_DYN_ROWS, sizeof(double)), *w1, *F, dt;
  nrx_status st = NRX_OK;
  start = (size_t *)nrxi_alloc(env, 2 * cap + 2 * data->n_trajectories + 2, sizeof(size_t));
  if (!w0 || !start) { nrxi_free(env, w0); nrxi_free(env, start); return NRX_E_NOMEM; }
  group = start + cap + data->n_trajectories + 1;
  w1 = w0 + width;
  F = w1 + width;
  P->rows = 0;
  for (tr = 0; tr < (data->n_trajectories ? data->n_trajectories : 1); tr++) {
    size_t n = data->lengths ? data->lengths[tr] : data->n, c;
    for (c = 0; c + width <= n; c += stride) {
      int ok = 1;
      for (k = 0; k < width && ok; k++) ok = nrxi_dyn_row_ok(d, in + (first + c + k) * d);
      if (ok) { group[P->rows] = tr; start[P->rows++] = first + c; }
    }
    first += n;
  }
  P->A = P->rows && P->rows <= (size_t)-1 / q ? (double *)nrxi_calloc(env, P->rows * q, sizeof(double))
      : NULL;
  if (!P->A) { st = P->rows ? NRX_E_NOMEM : NRX_E_ARG; goto done; }
  dt = data->t ? data->t[1] - data->t[0] : data->dt;
  nrxi_dyn_bump(m, power, dt, w0, w1);
  for (r = 0; r < P->rows; r++) {
    double *row = P->A + r * q;
    for (k = 0; k < width; k += NRXI_DYN_ROWS) {
      size_t len = width - k < NRXI_DYN_ROWS ? width - k : NRXI_DYN_ROWS, i;
      const double *x = in + (start[r] + k) * d;
      nrxi_dyn_terms_eval(&P->terms, len, x, F, NRXI_DYN_ROWS);
      for (j = 0; j < P->p; j++) {
        double s = 0.0;
        const double *f = F + j * NRXI_DYN_ROWS;
        for (i = 0; i < len; i++) s += w0[k + i] * f[i];
        row[j] += s;
      }
      for (j = 0; j < P->n; j++) {
        double s = 0.0;
        for (i = 0; i < len; i++) s += w1[k + i] * x[i * d + j];
        row[P->p + j] += s;
      }
    }
  }
  P->inflate = P->d->alpha < 0 ? 1 + sqrt((double)m / (double)stride) : 0;
  if (P->d->weak_gls && P->rows <= 4000) { /* generalised least squares: rows share samples */
    size_t K = P->rows, a, b;
    double *L = (double *)nrxi_calloc(env, K * K, sizeof(double)), ridge = 0;
    if (!L) { st = NRX_E_NOMEM; goto done; }
    for (k = 0; k < width; k++) ridge += w1[k] * w1[k];
    for (a = 0; a < K; a++)
      for (b = 0; b <= a; b++) {
        size_t lag = start[a] - start[b];
        double s = 0.0;
        if (group[a] != group[b] || lag >= width) continue;
        for (k = lag; k < width; k++) s += w1[k] * w1[k - lag];
        L[a * K + b] = s / ridge + (a == b ? 1e-2 : 0.0);
      }
    st = nrxi_dyn_cholesky(K, L);
    if (st == NRX_OK) nrxi_dyn_forward(K, L, P->A, q);
    nrxi_free(env, L);
  }
done:
  nrxi_free(env, w0);
  nrxi_free(env, start);
  return st;
}

/* Half-width for the weak form: three fifths of the time after which the autocorrelation of the states has
 * fallen to 1/e. */
static size_t nrxi_dyn_weak_width(const nrx_dyn_data *data)
{
  size_t n = data->lengths ? data->lengths[0] : data->n, lag, i, j, d = data->d;
  for (lag = 1; lag < n / 8; lag++) {
    double num = 0, den = 0;
    for (j = 0; j < d; j++) {
      double mean = 0, a = 0, b = 0;
      for (i = 0; i < n; i++) mean += data->x[i * d + j] / (double)n;
      for (i = 0; i + lag < n; i += 1 + n / 20000) {
        a += (data->x[i * d + j] - mean) * (data->x[(i + lag) * d + j] - mean);
        b += (data->x[i * d + j] - mean) * (data->x[i * d + j] - mean); }
      if (b > 0) { num += a / b; den += 1; }
    }
    if (num < 0.36787944 * den) break;
  }
  lag = lag * 3 / 5;
  return lag < 8 ? 8 : lag;
}

/* -- fit -- */

static const char *nrxi_dyn_data_check(const nrx_dyn_data *q, size_t *at)
{
  size_t i, j, first = 0, tr;
  *at = 0;
  if (!q || !q->x || q->n == 0 || q->d == 0 || q->d > 10000) return "needs samples";
  if (q->n_controls && !q->controls) return "n_controls without controls";
  if (!q->t && !(q->dt > 0)) return "needs times or dt > 0";
  if (q->lengths) {
    size_t sum = 0;
    for (tr = 0; tr < q->n_trajectories; tr++) sum += q->lengths[tr];
    if (sum != q->n) return "the trajectory lengths do not add up to n";
  } else if (q->n_trajectories > 1) return "several trajectories need their lengths";
  for (tr = 0; tr < (q->lengths ? q->n_trajectories : 1); tr++) {
    size_t n = q->lengths ? q->lengths[tr] : q->n;
    for (i = 1; q->t && i < n; i++)
      if (!(q->t[first + i] > q->t[first + i - 1])) { *at = first + i;
        return "times do not increase (duplicated or unsorted sample)"; }
    first += n;
  }
  for (j = 0; j < q->d; j++) {
    double lo = HUGE_VAL, hi = -HUGE_VAL;
    *at = j;
    for (i = 0; i < q->n; i++) {
      double v = q->x[i * q->d + j];
      if (!nrxi_finite_f64(&v)) continue;
      lo = nrxi_dyn_min(lo, v);
      hi = nrxi_dyn_max(hi, v);
    }
    if (lo > hi) return "a state has no finite sample";
    if (!(hi > lo)) return "a state is constant";
  }
  return NULL;
}

static nrx_status nrxi_dyn_finish_model(nrxi_dyn_problem *P, nrx_dyn_model *m, const double *alt,
    double weak_noise)
{
  const nrx_env *env = &P->d->env;
  size_t p = P->p, n = P->n, y, j, i, r, count = 0, first,
      *chosen = (size_t *)nrxi_alloc(env, 2 * p + 2, sizeof(size_t)), *act;
  double *R = NULL, *F = NULL, *x, *prev;
  nrx_status st = NRX_OK;
  if (!chosen) return NRX_E_NOMEM;
  act = chosen + p + 1;
  for (j = 0; j < p; j++) {
    int any = 0;
    for (y = 0; y < n; y++) any |= P->keep[y * p + j];
    if (any) chosen[count++] = j;
  }
  P->terms.need = (unsigned char *)nrxi_calloc(env, p, 1);
  if (!P->terms.need) { nrxi_free(env, chosen); return NRX_E_NOMEM; }
  for (i = 0; i < count; i++) { /* from here on only the support, its factors and the variables are
            evaluated */
    int k = (int)chosen[i];
    for (; k >= 0; k = (size_t)k < P->terms.n_poly ? P->terms.parent[k] : -1) P->terms.need[k] = 1;
  }
  for (i = 0; i < P->terms.n_poly; i++) if (P->terms.degree[i] <= 1) P->terms.need[i] = 1;
  {
    size_t c = count + n, lw = nrxi_dyn_lstsq_work(c, count + 1, 1),
        size = c * c + 2 * c * (count + 1) + c + p + lw;
    R = (double *)nrxi_alloc(env, size, sizeof(double));
    F = (double *)nrxi_alloc(env, P->q * NRXI_DYN_ROWS + 8 * n + p, sizeof(double));
    if (!R || !F) { st = NRX_E_NOMEM; goto done; }
    st = nrxi_dyn_compress(P, chosen, count, NULL, R);
    for (y = 0; y < n && st == NRX_OK; y++) {
      double *a = R + c * c, *b = a + c * (count + 1), *keep_r = b + c, *work = keep_r + c * (count + 1);
      size_t k = 0, rank = 0, l;
      x = work + lw;
      for (j = 0; j < count; j++) if (P->keep[y * p + chosen[j]]) act[k++] = j;
      if (k == 0) continue;
      for (i = 0; i < c; i++) {
        for (j = 0; j < k; j++) a[i * k + j] = R[i * c + act[j]];
        b[i] = R[i * c + count + y];
      }
      for (j = 0; j < k; j++) {
        double s = 0.0;
        for (i = 0; i < c; i++) s += a[i * k + j] * a[i * k + j];
        x[j] = s > 0 ? 1.0 / sqrt(s) : 0.0;
        for (i = 0; i < c; i++) a[i * k + j] *= x[j];
      }
      memcpy(keep_r, a, c * k * sizeof(double));
      st = nrxi_dyn_lstsq(c, k, a, b, 1, 1e-14, &rank, work);
      if (st != NRX_OK) break;
      if (rank < k) { st = nrxi_fail(env, NRX_E_NUMERIC,
          "nrx_dyn_sindy: the %zu terms of equation %zu are linearly dependent on the data", k, y); break; }
      if (!P->d->biased && !P->d->n_constraints && P->d->optimizer != NRX_DYN_TRAPPING)
        for (j = 0; j < k; j++) P->coef[y * p + chosen[act[j]]] = b[j] * x[j];
      /* errors: rows of R_S^-1 by QR of the k columns; condition from its singular values */
      if (nrxi_dyn_qr(c, k, keep_r, a, work) == NRX_OK) {
        double big = 0, small = HUGE_VAL;
        for (j = 0; j < k; j++) { big = nrxi_dyn_max(big, fabs(keep_r[j * k + j]));
          small = nrxi_dyn_min(small, fabs(keep_r[j * k + j])); }
        m->condition = nrxi_dyn_max(m->condition, big / small);
        for (j = 0; j < k; j++) { /* solve R^T z = e_j */
          double s = 0.0;
          for (i = 0; i < k; i++) {
            double v = i == j ? 1.0 : 0.0;
            for (l = 0; l < i; l++) v -= keep_r[l * k + i] * b[l];
            b[i] = v / keep_r[i * k + i];
            s += b[i] * b[i];
          }
          m->error[y * p + chosen[act[j]]] = x[j] * sqrt(s);
        }
      }
    }
  }
  if (st != NRX_OK) goto done;
  for (j = 0; j < n * p; j++) if (!P->keep[j]) P->coef[j] = 0.0;
  memcpy(m->coef, P->coef, n * p * sizeof(double));
  prev = F + P->q * NRXI_DYN_ROWS; /* last residual, r^2, lag product, y, y^2 per equation */
  memset(prev, 0, 8 * n * sizeof(double));
  for (first = 0; first < P->rows; first += NRXI_DYN_ROWS) {
    size_t rows = P->rows - first < NRXI_DYN_ROWS ? P->rows - first : NRXI_DYN_ROWS;
    (void)nrxi_dyn_fill(P, first, rows, F, NRXI_DYN_ROWS);
    for (y = 0; y < n; y++) {
      double *s = prev + 8 * y;
      for (r = 0; r < rows; r++) {
        double t = F[(p + y) * NRXI_DYN_ROWS + r], v = t;
        for (j = 0; j < count; j++) v -= m->coef[y * p + chosen[j]] * F[chosen[j] * NRXI_DYN_ROWS + r];
        s[1] += v * v; s[2] += v * s[0]; s[3] += t; s[4] += t * t;
        s[5] += (v - s[0]) * (v - s[0]);
        if (alt) { double e = t - alt[(first + r) * n + y]; s[6] += e * e; }
        s[0] = v;
      }
    }
  }
  for (y = 0; y < n; y++) {
    double *s = prev + 8 * y, N = (double)P->rows, var = s[4] - s[3] * s[3] / N, rho, k = 0, inflate, noise;
    for (j = 0; j < p; j++) k += P->keep[y * p + j];
    rho = s[1] > 0 ? nrxi_dyn_min(0.999, nrxi_dyn_max(0.0, s[2] / s[1])) : 0.0;
    inflate = sqrt((1 + rho) / (1 - rho));
    m->residual[y] = sqrt(s[1] / N);
    m->r2[y] = var > 0 ? 1.0 - s[1] / var : 0.0;
    for (j = 0; j < p; j++) m->error[y * p + j] *= inflate * sqrt(s[1] / nrxi_dyn_max(1.0, N - k));
    noise = weak_noise > 0 ? weak_noise : alt ? 3.0 * sqrt(s[6] / N) : 1.5 * sqrt(0.5 * s[5] / N);
    m->expected[y] = noise + 1e-9 * sqrt(s[4] / N);
    if (m->residual[y] > 4.0 * m->expected[y] && s[1] > 1e-8 * s[4]) m->verdict = NRX_DYN_MODEL_REJECTED;
  }
  if (count == 0) m->verdict = NRX_DYN_MODEL_EMPTY;
done:
  nrxi_free(env, P->terms.need);
  nrxi_free(env, chosen);
  nrxi_free(env, R);
  nrxi_free(env, F);
  return st;
}

NRX_DEF void nrx_dyn_model_free(nrx_dyn_model *m)
{
  nrx_env env;
  if (!m) return;
  env = m->env;
  if (m->terms) nrxi_free(&env, ((nrxi_dyn_terms *)m->terms)->parent);
  nrxi_free(&env, m->terms);
  nrxi_free(&env, m->coef);
  nrxi_free(&env, m);
}

/* Everything for one library degree. */
static nrx_status nrxi_dyn_sindy_once(const nrx_dyn_data *data, const nrx_dyn_sindy_desc *d,
    nrx_dyn_model **out)
{
  const nrx_env *env = &d->env;
  size_t n = data->d, inputs = n + data->n_controls, i, j, tr, first, total;
  nrxi_dyn_problem P;
  nrx_dyn_model *m = NULL;
  double *mem = NULL, *dx, *smooth, *alt = NULL, weak_noise = 0.0, share = 1.0 / (double)data->n;
  int weak = d->weak_auto || d->weak_half, whole;
  nrx_status st;
  memset(&P, 0, sizeof P);
  *out = NULL;
  P.d = d;
  P.n = n;
  m = (nrx_dyn_model *)nrxi_calloc(env, 1, sizeof *m);
  if (!m) return nrxi_dyn_oom(env, "nrx_dyn_sindy");
  m->env = *env;
  m->library = d->library;
  m->terms = nrxi_calloc(env, 1, sizeof(nrxi_dyn_terms));
  st = m->terms ? nrxi_dyn_terms_make((nrxi_dyn_terms *)m->terms, &m->library, inputs, env) : NRX_E_NOMEM;
  if (st != NRX_OK) { st = nrxi_fail(env, st, "nrx_dyn_sindy: the library is too large or memory is short");
    goto done; }
  P.terms = *(nrxi_dyn_terms *)m->terms;
  P.p = m->p = P.terms.p;
  P.q = P.p + n;
  m->n = n;
  m->n_inputs = inputs;
  m->time = d->time;
  m->names = d->names;
  if (d->optimizer == NRX_DYN_SR3 && d->n_constraints && (!d->constraint || !d->constraint_value)) {
    st = nrxi_fail(env, NRX_E_ARG, "nrx_dyn_sindy: constraints are missing"); goto done; }
  if (P.p == 0 || !nrxi_mul_ok(n, 3 * P.p + 4, &total) || !nrxi_mul_ok(P.q, P.q, &i)) {
    st = nrxi_fail(env, NRX_E_ARG, "nrx_dyn_sindy: the library is empty or too large"); goto done; }
  m->coef = (double *)nrxi_calloc(env, total, sizeof(double));
  i = 2 * P.q * P.q + P.q * (P.p + 2) + nrxi_dyn_lstsq_work(P.q, P.p, 1);
  P.R = (double *)nrxi_alloc(env, i, sizeof(double));
  P.keep = (unsigned char *)nrxi_calloc(env, n, P.p);
  mem = data->n <= (size_t)-1 / (inputs + 4 * n) / 16
      ? (double *)nrxi_alloc(env, data->n * (inputs + 4 * n), sizeof(double)) : NULL;
  if (!m->coef || !P.R || !P.keep || !mem) { st = nrxi_dyn_oom(env, "nrx_dyn_sindy"); goto done; }
  m->error = m->coef + n * P.p;
  m->inclusion = m->error + n * P.p;
  m->residual = m->inclusion + n * P.p;
  m->expected = m->residual + n;
  m->r2 = m->expected + n;
  P.G = P.R + P.q * P.q;
  P.w = P.G + P.q * P.q;
  P.coef = (double *)nrxi_calloc(env, n, (P.p + 1) * sizeof(double));
  if (!P.coef) { st = NRX_E_NOMEM; goto done; }
  P.floor = P.coef + n * P.p;
  P.in = mem;
  P.target = mem + data->n * inputs;
  dx = P.target + data->n * n;
  smooth = dx + data->n * n;
  alt = smooth + data->n * n;
  /* derivatives per trajectory */
  for (first = 0, tr = 0; tr < (data->lengths ? data->n_trajectories : 1); tr++) {
    size_t len = data->lengths ? data->lengths[tr] : data->n;
    const double *x = data->x + first * n, *t = data->t ? data->t + first : NULL;
    nrx_dyn_derivative_desc q = d->derivative, other = NRX_ZERO;
    q.env = other.env = *env;
    memcpy(smooth + first * n, x, len * n * sizeof(double));
    if (d->time == NRX_DYN_DISCRETE) {
      for (i = 0; i < len; i++) for (j = 0; j < n; j++) dx[(first + i) * n + j] = i + 1 < len
          ? x[(i + 1) * n + j] : HUGE_VAL;
    } else if (data->dxdt) memcpy(dx + first * n, data->dxdt + first * n, len * n * sizeof(double));
    else if (!weak) {
      st = nrx_dyn_derivative(len, n, t, data->dt, x, &q, dx + first * n, smooth + first * n);
      if (st != NRX_OK) goto done;
      other.order = q.method == NRX_DYN_FINITE_DIFFERENCE ? (q.order ? q.order : 2) + 2 : 4;
      if (len > other.order + 1) st = nrx_dyn_derivative(len, n, t, data->dt, x, &other, alt + first * n,
          NULL);
      else for (i = 0; i < len * n; i++) alt[first * n + i] = 0.0;
      if (st != NRX_OK) goto done;
    }
    first += len;
  }
  total = data->n * n; /* no row is missing: not each is looked at again */
  whole = !weak && !data->n_controls && nrxi_all_finite(dx, total, NRX_F64)
      && nrxi_all_finite(smooth, total, NRX_F64);
  for (i = 0; i < data->n; i++) { /* inputs, and the compacted usable rows */
    double *in = P.in + P.rows * inputs;
    int ok = weak || whole || nrxi_dyn_row_ok(n, dx + i * n);
    if (weak) in = P.in + i * inputs;
    memcpy(in, smooth + i * n, n * sizeof(double));
    for (j = 0; j < data->n_controls; j++) in[n + j] = data->controls[i * data->n_controls + j];
    ok = ok && (whole || nrxi_dyn_row_ok(inputs, in));
    if (weak || !ok) continue;
    memcpy(P.target + P.rows * n, dx + i * n, n * sizeof(double));
    memcpy(alt + P.rows * n, alt + i * n, n * sizeof(double));
    /* alt is not filled there */
    if (data->dxdt || d->time == NRX_DYN_DISCRETE || !nrxi_dyn_row_ok(n, alt + P.rows * n))
      memcpy(alt + P.rows * n, dx + i * n, n * sizeof(double));
    for (j = 0; j < n; j++) { /* known error of the targets: the two differences' disagreement, else
            round-off */
      double y = P.target[P.rows * n + j], e = data->dxdt || d->time == NRX_DYN_DISCRETE ? 0.0
          : y - alt[P.rows * n + j];
      P.floor[j] += (e * e + 1e-23 * y * y) * share;
    }
    P.rows++;
  }
  if (weak) {
    size_t half = d->weak_half ? d->weak_half : nrxi_dyn_weak_width(data),
        stride = d->weak_stride ? d->weak_stride : half / 10 ? half / 10 : 1;
    double noise = 0.0, count = 0.0;
    st = nrxi_dyn_weak_rows(&P, data, P.in, half, stride);
    if (st != NRX_OK) { st = nrxi_fail(env, st,
        "nrx_dyn_sindy: no window of %zu samples fits (data too short or too many missing)", 2 * half + 1);
          goto done; }
    for (i = 4; i < data->n; i++) /* white noise from fourth differences */
      for (j = 0; j < n; j++) {
        const double *x = data->x + i * n + j;
        double v = x[0] - 4 * x[-(ptrdiff_t)n] + 6 * x[-2 * (ptrdiff_t)n] - 4 * x[-3 * (ptrdiff_t)n]
            + x[-4 * (ptrdiff_t)n];
        if (nrxi_finite_f64(&v)) { noise += v * v / 70.0; count += 1; }
      }
    weak_noise = count > 0 ? 10.0 * sqrt(noise / count) * (d->weak_gls ? 1.0 : 2.0 / sqrt((double)half))
        + 1e-300 : 1e-300;
  }
  if (P.rows < P.p + (d->ensemble ? 5 : 1)) {
    st = nrxi_fail(env, NRX_E_ARG, "nrx_dyn_sindy: %zu usable rows are too few for %zu terms", P.rows, P.p);
    goto done; }
  m->rows = P.rows;
  st = d->ensemble ? nrxi_dyn_ensemble(&P, m->inclusion) : nrxi_dyn_optimise(&P, NULL);
  if (st == NRX_E_NUMERIC) st = nrxi_fail(env, st,
      "nrx_dyn_sindy: the %zu terms are not finite or linearly dependent on these data (a smaller library, "
      "more varied data, or a ridge helps)", P.p);
  if (st != NRX_OK) goto done;
  for (i = 0; !d->ensemble && i < n * P.p; i++) m->inclusion[i] = P.keep[i];
  m->sweeps = P.sweeps;
  st = nrxi_dyn_finish_model(&P, m, data->dxdt || weak || d->time == NRX_DYN_DISCRETE ? NULL : alt,
      weak_noise);
done:
  nrxi_free(env, mem);
  nrxi_free(env, P.R);
  nrxi_free(env, P.keep);
  nrxi_free(env, P.coef);
  nrxi_free(env, P.A);
  if (st == NRX_OK) *out = m;
  else nrx_dyn_model_free(m);
  return st;
}

NRX_DEF nrx_status nrx_dyn_sindy(const nrx_dyn_data *data, const nrx_dyn_sindy_desc *desc,
    nrx_dyn_model **out)
{
  nrx_dyn_sindy_desc d = NRX_ZERO;
  const char *why;
  size_t at;
  nrx_status st;
  int degree;
  if (desc) d = *desc;
  if (!out) return nrxi_fail(&d.env, NRX_E_ARG, "nrx_dyn_sindy: out is NULL");
  *out = NULL;
  why = nrxi_dyn_data_check(data, &at);
  if (why) return nrxi_fail(&d.env, why[0] == 'a' ? NRX_E_NUMERIC : NRX_E_ARG,
      "nrx_dyn_sindy: %s (index %zu)", why, at);
  if (d.optimizer < NRX_DYN_STLSQ || d.optimizer > NRX_DYN_TRAPPING || d.time < 0
      || d.time > NRX_DYN_DISCRETE)
    return nrxi_fail(&d.env, NRX_E_ARG, "nrx_dyn_sindy: unknown optimizer %d or time %d", d.optimizer,
        d.time);
  if ((d.weak_auto || d.weak_half) && d.alpha == 0) d.alpha = -1; /* integrals are small numbers: a ridge in
            absolute units would rule them */
  if (d.library.degree != 0) return nrxi_dyn_sindy_once(data, &d, out);
  for (degree = 2; degree <= 5; degree++) { /* raise the degree while the data reject the fit */
    nrx_dyn_model *next = NULL;
    d.library.degree = degree;
    if (degree > 2 && nrx_dyn_library_size(&d.library, data->d + data->n_controls) > data->n / 10) break;
    st = nrxi_dyn_sindy_once(data, &d, &next);
    if (st != NRX_OK) { if (degree == 2) return st; break; }
    nrx_dyn_model_free(*out);
    *out = next;
    if (next->verdict != NRX_DYN_MODEL_REJECTED || d.optimizer == NRX_DYN_TRAPPING) break;
  }
  return NRX_OK;
}

NRX_DEF size_t nrx_dyn_model_print(const nrx_dyn_model *m, int decimals, int intervals, char *text,
    size_t size)
{
  nrxi_dyn_writer w;
  size_t y, j;
  w.text = text;
  w.size = size;
  w.length = 0;
  if (decimals < 0 || decimals > 15) decimals = 3;
  if (!m) return 0;
  if (m->verdict == NRX_DYN_MODEL_REJECTED) {
    nrxi_dyn_write(&w, "no equations: the library of ");
    nrxi_dyn_write_number(&w, (double)m->p, 0);
    nrxi_dyn_write(&w, " terms does not explain these data.");
    for (y = 0; y < m->n; y++) {
      nrxi_dyn_write(&w, "\n  equation ");
      nrxi_dyn_write_number(&w, (double)y, 0);
      nrxi_dyn_write(&w, ": residual ");
      nrxi_dyn_write_number(&w, m->residual[y], -2);
      nrxi_dyn_write(&w, ", of which the derivative's own error explains ");
      nrxi_dyn_write_number(&w, m->expected[y], -2);
    }
    nrxi_dyn_write(&w, "\nTry a higher degree, other functions, or a lower threshold.\n");
    nrxi_dyn_write_end(&w);
    return w.length;
  }
  for (y = 0; y < m->n; y++) {
    int any = 0;
    nrxi_dyn_write(&w, "(");
    nrxi_dyn_write_var(&w, m->names, y, m->n);
    nrxi_dyn_write(&w, m->time == NRX_DYN_DISCRETE ? ")[k+1] =" : ")' =");
    for (j = 0; j < m->p; j++) {
      double c = m->coef[y * m->p + j];
      if (c == 0.0) continue;
      nrxi_dyn_write(&w, any ? " + " : " ");
      any = 1;
      if (intervals) nrxi_dyn_write(&w, "(");
      nrxi_dyn_write_number(&w, c, decimals);
      if (intervals) {
        nrxi_dyn_write(&w, " +- ");
        nrxi_dyn_write_number(&w, 1.96 * m->error[y * m->p + j], decimals);
        nrxi_dyn_write(&w, ")");
      }
      nrxi_dyn_write(&w, " ");
      nrxi_dyn_write_term(&w, (const nrxi_dyn_terms *)m->terms, j, m->names, m->n, 0);
    }
    nrxi_dyn_write(&w, any ? "\n" : " 0.000\n");
  }
  nrxi_dyn_write_end(&w);
  return w.length;
}

NRX_DEF size_t nrx_dyn_model_to_c(const nrx_dyn_model *m, const char *name, char *text, size_t size)
{
  nrxi_dyn_writer w;
  size_t y, j;
  w.text = text;
  w.size = size;
  w.length = 0;
  if (!m) return 0;
  nrxi_dyn_write(&w, "#include <math.h>\nvoid ");
  nrxi_dyn_write(&w, name ? name : "model");
  nrxi_dyn_write(&w, "(const double *x, double *dxdt)\n{\n");
  for (y = 0; y < m->n; y++) {
    nrxi_dyn_write(&w, "    dxdt[");
    nrxi_dyn_write_number(&w, (double)y, 0);
    nrxi_dyn_write(&w, "] = 0.0");
    for (j = 0; j < m->p; j++) {
      double c = m->coef[y * m->p + j];
      if (c == 0.0) continue;
      nrxi_dyn_write(&w, c < 0 ? "\n        - " : "\n        + ");
      nrxi_dyn_write_number(&w, fabs(c), -1);
      nrxi_dyn_write(&w, "*");
      nrxi_dyn_write_term(&w, (const nrxi_dyn_terms *)m->terms, j, m->names, m->n, 1);
    }
    nrxi_dyn_write(&w, ";\n");
  }
  nrxi_dyn_write(&w, "}\n");
  nrxi_dyn_write_end(&w);
  return w.length;
}

static nrx_status nrxi_dyn_model_f(void *user, double t, const double *x, double *dxdt)
{
  const nrx_dyn_model *m = (const nrx_dyn_model *)user;
  double small[256], *F = small;
  size_t y, j;
  (void)t;
  if (m->p > 256 && !(F = (double *)nrxi_alloc(&m->env, m->p, sizeof(double)))) return NRX_E_NOMEM;
  nrxi_dyn_terms_eval((const nrxi_dyn_terms *)m->terms, 1, x, F, 1);
  for (y = 0; y < m->n; y++) {
    double s = 0.0;
    const double *c = m->coef + y * m->p;
    for (j = 0; j < m->p; j++) if (c[j] != 0.0) s += c[j] * F[j];
    dxdt[y] = s;
  }
  if (F != small) nrxi_free(&m->env, F);
  return NRX_OK;
}

NRX_DEF nrx_status nrx_dyn_model_field(const nrx_dyn_model *m, nrx_vfield *out)
{
  if (!m || !out || m->n_inputs != m->n)
    return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_model_field: needs a model without controls");
  out->f = nrxi_dyn_model_f;
  out->jac = NULL;
  memcpy(&out->user, &m, sizeof(void *));
  out->n = m->n;
  return NRX_OK;
}

NRX_DEF nrx_status nrx_dyn_sindy_path(const nrx_dyn_data *data, const nrx_dyn_sindy_desc *desc, size_t nt,
    const double *thresholds, double *rows, size_t *best)
{
  nrx_dyn_sindy_desc d = NRX_ZERO;
  nrx_dyn_data train;
  double least = HUGE_VAL, *dx;
  size_t i, j, k, y, cut;
  const char *why = nrxi_dyn_data_check(data, &i);
  nrx_status st = NRX_OK;
  if (desc) d = *desc;
  if (why || !thresholds || !rows || !best || nt == 0 || data->lengths || data->n_controls || d.time)
    return nrxi_fail(&d.env, NRX_E_ARG, "nrx_dyn_sindy_path: %s",
        why ? why : "needs thresholds, room, and one trajectory without controls");
  cut = data->n - data->n / 5;
  train = *data;
  train.n = cut;
  if (d.library.degree == 0) d.library.degree = 2;
  dx = (double *)nrxi_alloc(&d.env, data->n, 2 * data->d * sizeof(double));
  if (!dx) return nrxi_dyn_oom(&d.env, "nrx_dyn_sindy_path");
  if (data->dxdt) memcpy(dx, data->dxdt, data->n * data->d * sizeof(double));
  else st = nrx_dyn_derivative(data->n, data->d, data->t, data->dt, data->x, &d.derivative, dx,
      dx + data->n * data->d);
  *best = 0;
  for (i = 0; i < nt && st == NRX_OK; i++) {
    nrx_dyn_model *m;
    double nnz = 0, sse = 0, tot = 0, aicc = 0, bic = 0;
    d.threshold = thresholds[i];
    st = nrx_dyn_sindy(&train, &d, &m);
    if (st != NRX_OK) break;
    for (j = 0; j < m->n * m->p; j++) nnz += m->coef[j] != 0.0;
    for (y = 0; y < m->n; y++) {
      double rss = m->residual[y] * m->residual[y] * (double)m->rows, kk = 0;
      for (j = 0; j < m->p; j++) kk += m->coef[y * m->p + j] != 0.0;
      aicc += nrxi_dyn_aicc(rss, (double)m->rows, kk);
      bic += (double)m->rows * log(nrxi_dyn_max(rss, 1e-300) / (double)m->rows) + kk * log((double)m->rows);
    }
    for (k = cut; k < data->n; k++) {
      double f[64];
      if (m->n > 64 || !nrxi_dyn_row_ok(m->n, dx + k * m->n) || nrxi_dyn_model_f(m, 0, data->x + k * m->n, f)
          != NRX_OK) continue;
      for (y = 0; y < m->n; y++) { sse += (dx[k * m->n + y] - f[y]) * (dx[k * m->n + y] - f[y]);
        tot += dx[k * m->n + y] * dx[k * m->n + y]; }
    }
    rows[4 * i] = nnz;
    rows[4 * i + 1] = tot > 0 ? 1 - sse / tot : 0;
    rows[4 * i + 2] = aicc;
    rows[4 * i + 3] = bic;
    if (aicc < least) { least = aicc; *best = i; }
    nrx_dyn_model_free(m);
  }
  nrxi_free(&d.env, dx);
  return st;
}

NRX_DEF nrx_status nrx_dyn_pde_find(size_t nt, size_t nx, const double *u, double dt, double dx, int periodic,
    size_t power, size_t order, double threshold, double *coef, double *r2, const nrx_env *env)
{
  size_t p, i, j, a, k, edge = periodic ? 0 : 4, rows = 0, row;
  double *mem, *D, *col, node[9], w[7][9];
  nrxi_dyn_problem P;
  nrx_dyn_sindy_desc d = NRX_ZERO;
  nrx_status st = NRX_OK;
  if (!u || !coef || !(dt > 0) || !(dx > 0) || nt < 9 || nx < 9 || order > 4 || power > 6
      || !nrxi_all_finite(u, nt * nx, NRX_F64))
    return nrxi_fail(env, NRX_E_ARG,
        "nrx_dyn_pde_find: needs a finite field of at least 9 x 9, order <= 4 and power <= 6");
  p = (power + 1) * (order + 1);
  memset(&P, 0, sizeof P);
  if (env) d.env = *env;
  d.normalize = 1;
  d.threshold = threshold > 0 ? threshold : 0.02;
  d.alpha = 1e-5;
  P.d = &d;
  P.p = p;
  P.n = 1;
  P.q = p + 1;
  rows = (nt - 8) * (nx - 2 * edge);
  mem = (double *)nrxi_alloc(env, rows * P.q + 2 * P.q * P.q + P.q * (p + 2) + nrxi_dyn_lstsq_work(P.q, p, 1)
      + p + 1, sizeof(double));
  P.keep = (unsigned char *)nrxi_calloc(env, p, 1);
  if (!mem || !P.keep) { nrxi_free(env, mem); nrxi_free(env, P.keep);
    return nrxi_dyn_oom(env, "nrx_dyn_pde_find"); }
  P.A = mem; P.R = P.A + rows * P.q; P.G = P.R + P.q * P.q; P.w = P.G + P.q * P.q;
  P.coef = P.w + P.q * (p + 2) + nrxi_dyn_lstsq_work(P.q, p, 1);
  P.rows = rows;
  /* weights of derivatives 0 .. 4 on nine points: 1 and 2 of order 8, 3 and 4 of order 6, by differentiating
     Lagrange polynomials */
  for (k = 0; k < 9; k++) node[k] = (double)k - 4.0;
  for (a = 0; a < 9; a++) { /* coefficients of the a-th Lagrange polynomial */
    double c[10] = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, f = 1.0;
    size_t deg = 0, m;
    for (k = 0; k < 9; k++) {
      if (k == a) continue;
      for (m = ++deg; m > 0; m--) c[m] = c[m - 1] - node[k] * c[m];
      c[0] *= -node[k];
      f *= node[a] - node[k];
    }
    for (m = 0; m < 5; m++) { static const double fact[5] = {1, 1, 2, 6, 24}; w[m][a] = c[m] * fact[m] / f; }
  }
  D = w[0];
  (void)D;
  for (row = 0, i = 4; i + 4 < nt; i++)
    for (j = edge; j + edge < nx; j++, row++) {
      double deriv[5], ut = 0.0, v, h = 1.0;
      col = P.A + row * P.q;
      for (k = 0; k < 9; k++) ut += w[1][k] * u[(i + k - 4) * nx + j] / dt;
      for (a = 0; a <= order; a++, h *= dx)
        for (deriv[a] = 0.0, k = 0; k < 9; k++) deriv[a] += w[a][k] * u[i * nx + (j + k + nx - 4) % nx] / h;
      for (a = 0; a <= order; a++)
        for (v = 1.0, k = 0; k <= power; k++, v *= u[i * nx + j]) *col++ = a ? v * deriv[a] : v;
      *col = ut;
    }
  st = nrxi_dyn_gram_all(&P, NULL);
  if (st == NRX_OK) {
    double *norm = P.R;
    for (i = 0; i < p; i++) norm[i] = sqrt(P.G[i * P.q + i]);
    for (i = 0; i < p; i++) for (j = i; j < P.q; j++)
      P.G[i * P.q + j] /= norm[i] * (j < p ? norm[j] : sqrt(P.G[p * P.q + p]));
    st = nrxi_dyn_stlsq(&P, NULL);
  }
  if (st == NRX_OK) st = nrxi_dyn_compress(&P, NULL, p, NULL, P.R);
  if (st == NRX_OK) {
    size_t act[64], m = 0;
    double x[64], tot = 0, sse;
    for (j = 0; j < p && m < 64; j++) if (P.keep[j]) act[m++] = j;
    st = nrxi_dyn_regress(&P, act, m, 0, 0.0, x);
    memset(coef, 0, p * sizeof(double));
    for (j = 0; j < m; j++) coef[act[j]] = x[j];
    sse = nrxi_dyn_sse(&P, act, m, 0, x);
    for (i = 0; i < P.q; i++) tot += P.R[i * P.q + p] * P.R[i * P.q + p];
    if (r2) *r2 = tot > 0 ? 1 - sse / tot : 0;
  }
  nrxi_free(env, mem);
  nrxi_free(env, P.keep);
  return st == NRX_OK ? st : nrxi_fail(env, st,
      "nrx_dyn_pde_find: the terms are linearly dependent on these data");
}

/* ======================================== the audit ================ */

NRX_DEF nrx_status nrx_dyn_noise_level(size_t n, size_t d, const double *x, double *sd)
{
  size_t i, j, k, order;
  if (!x || !sd || n < 20 || d == 0) return nrxi_fail(NULL, NRX_E_ARG,
      "nrx_dyn_noise_level: needs at least 20 samples");
  for (j = 0; j < d; j++) {
    sd[j] = HUGE_VAL;
    for (order = 2; order <= 10; order += 2) { /* the difference with the least implied noise has the least
            signal in it */
      double c[11], s = 0.0, norm = 0.0, count = 0;
      c[0] = 1.0;
      for (k = 1; k <= order; k++) c[k] = -c[k - 1] * (double)(order + 1 - k) / (double)k;
      for (k = 0; k <= order; k++) norm += c[k] * c[k];
      for (i = 0; i + order < n; i++) {
        double v = 0.0;
        for (k = 0; k <= order; k++) v += c[k] * x[(i + k) * d + j];
        if (nrxi_finite_f64(&v)) { s += v * v; count += 1; }
      }
      if (count > 0) sd[j] = nrxi_dyn_min(sd[j], sqrt(s / count / norm));
    }
  }
  return NRX_OK;
}

struct nrx_dyn_auditor {
  nrx_dyn_audit_desc d;
  nrxi_dyn_terms terms;
  nrx_dyn_stream theta, slope;
  size_t n;          /* state dimension */
  int affine, scaled; /* polynomial library: states are standardised */
  double *shift, *scale, *noise, *F, *row, *x; /* noise [n]: absolute, in the coordinates used */
};

NRX_DEF void nrx_dyn_auditor_free(nrx_dyn_auditor *a)
{
  nrx_env env;
  if (!a) return;
  env = a->d.env;
  nrxi_free(&env, a->terms.parent);
  nrx_dyn_stream_free(&a->theta);
  nrx_dyn_stream_free(&a->slope);
  nrxi_free(&env, a->shift);
  nrxi_free(&env, a);
}

NRX_DEF nrx_status nrx_dyn_auditor_create(size_t d, const nrx_dyn_audit_desc *desc, nrx_dyn_auditor **out)
{
  nrx_dyn_audit_desc q = NRX_ZERO;
  nrx_dyn_auditor *a;
  nrx_status st;
  if (desc) q = *desc;
  if (!out || d == 0) return nrxi_fail(&q.env, NRX_E_ARG,
      "nrx_dyn_auditor_create: needs d > 0 and a place for the result");
  *out = NULL;
  if (q.library.degree == 0) q.library.degree = 3;
  if (q.tolerance == 0) q.tolerance = 1e-8;
  if (!nrxi_finite_f64(&q.noise) || q.noise > 10)
    return nrxi_fail(&q.env, NRX_E_ARG, "nrx_dyn_auditor_create: noise %g is not a relative level", q.noise);
  a = (nrx_dyn_auditor *)nrxi_calloc(&q.env, 1, sizeof *a);
  if (!a) return nrxi_dyn_oom(&q.env, "nrx_dyn_auditor_create");
  a->d = q;
  a->n = d;
  a->affine = q.library.degree > 0 && !q.library.fourier && !q.library.logarithms && !q.library.n_functions
             && !q.library.no_bias && !q.library.pure_powers && !q.library.interactions_only;
  st = nrxi_dyn_terms_make(&a->terms, &a->d.library, d, &q.env);
  if (st == NRX_OK && a->terms.p > 20000) st = NRX_E_RANGE;
  if (st == NRX_OK) st = nrx_dyn_stream_create(&a->theta, a->terms.p, &q.env);
  if (st == NRX_OK) st = nrx_dyn_stream_create(&a->slope, a->terms.p, &q.env);
  if (st == NRX_OK) {
    a->shift = (double *)nrxi_calloc(&q.env, 4 * d + a->terms.p * 3 * NRXI_DYN_ROWS + NRXI_DYN_ROWS * d,
        sizeof(double));
    st = a->shift ? NRX_OK : NRX_E_NOMEM;
  }
  if (st != NRX_OK) { nrx_dyn_auditor_free(a);
    return nrxi_fail(&q.env, st, "nrx_dyn_auditor_create: the library is too large or memory is short"); }
  a->scale = a->shift + d; a->noise = a->scale + d; a->F = a->noise + 2 * d;
  a->row = a->F + a->terms.p * 2 * NRXI_DYN_ROWS; a->x = a->row + a->terms.p * NRXI_DYN_ROWS;
  *out = a;
  return NRX_OK;
}

/* Mean and deviation of the rows; NRX_E_NUMERIC for a constant or non-finite state. */
static nrx_status nrxi_dyn_audit_scale(nrx_dyn_auditor *a, size_t n, const double *x)
{
  size_t i, j, d = a->n;
  for (j = 0; j < d; j++) {
    double m = 0, v = 0;
    for (i = 0; i < n; i++) m += x[i * d + j] / (double)n;
    for (i = 0; i < n; i++) v += (x[i * d + j] - m) * (x[i * d + j] - m) / (double)n;
    v = sqrt(v);
    if (!nrxi_finite_f64(&v)) return nrxi_fail(&a->d.env, NRX_E_NUMERIC,
        "nrx_dyn_audit: state %zu is not finite", j);
    if (!(v > 1e-12 * fabs(m)) || v == 0)
      return nrxi_fail(&a->d.env, NRX_E_NUMERIC, "nrx_dyn_audit: state %zu is constant", j);
    a->shift[j] = a->affine ? m : 0.0;
    a->scale[j] = a->affine ? v : 1.0;
    a->noise[j] = a->d.noise > 0 ? a->d.noise * v / a->scale[j] : 0.0;
  }
  a->scaled = 1;
  return NRX_OK;
}

NRX_DEF nrx_status nrx_dyn_auditor_push(nrx_dyn_auditor *a, size_t n, const double *x)
{
  size_t first, r, j, k, d, p;
  nrx_status st = NRX_OK;
  if (!a || (n && !x)) return NRX_E_ARG;
  if (n == 0) return NRX_OK;
  d = a->n;
  p = a->terms.p;
  if (!a->scaled && (st = nrxi_dyn_audit_scale(a, n, x)) != NRX_OK) return st;
  for (first = 0; first < n && st == NRX_OK; first += NRXI_DYN_ROWS) {
    size_t m = n - first < NRXI_DYN_ROWS ? n - first : NRXI_DYN_ROWS;
    for (r = 0; r < m; r++) for (j = 0; j < d; j++)
      a->x[r * d + j] = (x[(first + r) * d + j] - a->shift[j]) / a->scale[j];
    nrxi_dyn_terms_eval(&a->terms, m, a->x, a->F, NRXI_DYN_ROWS);
    for (r = 0; r < m; r++) for (k = 0; k < p; k++) a->row[r * p + k] = a->F[k * NRXI_DYN_ROWS + r];
    st = nrx_dyn_stream_push(&a->theta, m, a->row);
    for (j = 0; j < d && a->d.noise > 0 && st == NRX_OK; j++) { /* what the noise of state j does to each
            term */
      double h = 1e-5 * nrxi_dyn_max(1e-3, a->affine ? 1.0 : a->noise[j] / a->d.noise),
          *G = a->F + p * NRXI_DYN_ROWS;
      for (r = 0; r < m; r++) a->x[r * d + j] += h;
      nrxi_dyn_terms_eval(&a->terms, m, a->x, a->F, NRXI_DYN_ROWS);
      for (r = 0; r < m; r++) a->x[r * d + j] -= 2 * h;
      nrxi_dyn_terms_eval(&a->terms, m, a->x, G, NRXI_DYN_ROWS);
      for (r = 0; r < m; r++) {
        a->x[r * d + j] += h;
        for (k = 0; k < p; k++)
          a->row[r * p + k] = a->noise[j] * (a->F[k * NRXI_DYN_ROWS + r] - G[k * NRXI_DYN_ROWS + r])
              / (2 * h);
      }
      st = nrx_dyn_stream_push(&a->slope, m, a->row);
    }
  }
  return st;
}

/* Index of term k times variable v, or -1 beyond the library. */
static int nrxi_dyn_times(const nrxi_dyn_terms *w, int k, int v)
{
  size_t j;
  int from;
  if (k == 0) return v + 1 < (int)w->n_poly ? v + 1 : -1; /* the constant is term 0 */
  if (v >= w->var[k]) {
    for (j = (size_t)k + 1; j < w->n_poly; j++) if (w->parent[j] == k && w->var[j] == v) return (int)j;
    return -1;
  }
  from = nrxi_dyn_times(w, w->parent[k] < 0 ? 0 : w->parent[k], v);
  return from < 0 ? -1 : nrxi_dyn_times(w, from, w->var[k]);
}

/* Coefficients c [p] of standardised monomials to raw coordinates, in place; E is p p scratch. */
static void nrxi_dyn_to_raw(const nrx_dyn_auditor *a, size_t p, double *c, double *E)
{
  size_t j, k;
  memset(E, 0, p * p * sizeof(double));
  for (j = 0; j < p; j++) { /* row j: standardised term j in raw terms */
    int parent = a->terms.parent[j] < 0 ? 0 : a->terms.parent[j], v = a->terms.var[j];
    if (j == 0) { E[0] = 1.0; continue; }
    for (k = 0; k < p; k++) {
      double e = E[(size_t)parent * p + k];
      int up;
      if (e == 0.0) continue;
      up = nrxi_dyn_times(&a->terms, (int)k, v);
      if (up >= 0 && (size_t)up < p) E[j * p + (size_t)up] += e / a->scale[v];
      E[j * p + k] -= e * a->shift[v] / a->scale[v];
    }
  }
  for (k = 0; k < p; k++) { /* row 0 of E is (1, 0, ...): its entries are free once the sum has been taken */
    double s = k ? 0.0 : c[0];
    for (j = 1; j < p; j++) s += c[j] * E[j * p + k];
    E[k] = s;
  }
  memcpy(c, E, p * sizeof(double));
}

/* Reduced echelon form of k vectors [k][p] with full pivoting; entries below `drop` of a row's largest become
 * zero. */
static void nrxi_dyn_echelon(size_t k, size_t p, size_t from, double *v, double drop)
{
  size_t i, j, l;
  for (i = 0; i < k; i++) {
    size_t r = i, c = 0;
    double best = -1.0;
    for (l = i; l < k; l++) for (j = from; j < p; j++)
      if (fabs(v[l * p + j]) > best) { best = fabs(v[l * p + j]); r = l; c = j; }
    if (!(best > 0)) return;
    for (j = 0; j < p; j++) { double t = v[i * p + j]; v[i * p + j] = v[r * p + j]; v[r * p + j] = t; }
    best = v[i * p + c];
    for (j = 0; j < p; j++) v[i * p + j] /= best;
    for (l = 0; l < k; l++) {
      double f = v[l * p + c];
      if (l == i || f == 0.0) continue;
      for (j = 0; j < p; j++) v[l * p + j] -= f * v[i * p + j];
    }
  }
  for (i = 0; i < k; i++) {
    double big = 0;
    for (j = 0; j < p; j++) big = nrxi_dyn_max(big, fabs(v[i * p + j]));
    for (j = 0; j < p; j++) if (fabs(v[i * p + j]) < drop * big) v[i * p + j] = 0.0;
  }
}

/* Smallest generalised singular value of the columns `pick` [m] of raw terms: R and W are [p][p] factors in
   raw terms; c [m] gets the combination. mem: 4 p p + 2 p + work. */
static double nrxi_dyn_gamma_of(size_t p, const double *R, const double *W, const size_t *pick, size_t m,
    double *c, double *mem)
{
  double *Q = mem, *A = Q + p * m, *Vt = A + p * m, *s = Vt + m * m, *tau = s + m, *work = tau + 2 * m;
  size_t i, j, k;
  for (i = 0; i < p; i++) for (j = 0; j < m; j++) Q[i * m + j] = R[i * p + pick[j]];
  if (nrxi_dyn_qr(p, m, Q, tau, work) != NRX_OK) return HUGE_VAL;
  for (i = 0; i < p; i++)
    for (j = 0; j < m; j++) {
      double v = W[i * p + pick[j]];
      for (k = 0; k < j; k++) v -= A[i * m + k] * Q[k * m + j];
      if (Q[j * m + j] == 0.0) return 0.0;
      A[i * m + j] = v / Q[j * m + j];
    }
  if (nrxi_dyn_svd(p, m, A, s, work, Vt, work + p * m) != NRX_OK) return HUGE_VAL;
  for (j = m; c && j-- > 0;) {
    double v = Vt[j];
    for (k = j + 1; k < m; k++) v -= Q[j * m + k] * c[k];
    c[j] = v / Q[j * m + j];
  }
  return s[0] > 0 ? 1.0 / s[0] : HUGE_VAL;
}

/* Noisy data leave null vectors uncertain along directions the samples hardly explore; this finds for each of
   k null directions a combination of few raw terms that the noise still explains. Terms are tried for removal
   from low and from high degree, the shorter result wins; a term of each result is then barred from the next
   ones. */
static nrx_status nrxi_dyn_sparse_nulls(nrx_dyn_auditor *a, size_t p, size_t k, double *out)
{
  const nrx_env *env = &a->d.env;
  size_t P = a->terms.p, i, j, l, q, m, best_m, *pick = (size_t *)nrxi_alloc(env, 4 * p, sizeof(size_t)),
      *trial = pick + p, *best = trial + p, *barred = best + p;
  double *mem = (double *)nrxi_alloc(env, 7 * p * p + 4 * p + nrxi_dyn_svd_work(p, p) + 4 * p,
      sizeof(double)), *R, *W, *B, *c, *work;
  int order;
  if (!pick || !mem) { nrxi_free(env, pick); nrxi_free(env, mem); return NRX_E_NOMEM; }
  R = mem; W = R + p * p; B = W + p * p; c = B + p * p; work = c + p;
  memset(barred, 0, p * sizeof(size_t));
  memset(B, 0, p * p * sizeof(double)); /* column k: raw monomial k in standardised ones, x = shift + scale
            z */
  B[0] = 1.0;
  for (j = 1; j < p; j++) {
    int parent = a->terms.parent[j] < 0 ? 0 : a->terms.parent[j], v = a->terms.var[j], up;
    for (i = 0; i < p; i++) {
      double e = B[i * p + (size_t)parent];
      if (e == 0.0) continue;
      up = nrxi_dyn_times(&a->terms, (int)i, v);
      if (up >= 0 && (size_t)up < p) B[(size_t)up * p + j] += e * a->scale[v];
      B[i * p + j] += e * a->shift[v];
    }
  }
  for (i = 0; i < p; i++)
    for (j = 0; j < p; j++) {
      double r = 0, w = 0;
      for (l = i; l < p; l++) { r += a->theta.R[i * P + l] * B[l * p + j];
        w += a->slope.R[i * P + l] * B[l * p + j]; }
      R[i * p + j] = r;
      W[i * p + j] = w;
    }
  memset(out, 0, k * p * sizeof(double));
  for (q = 0; q < k; q++) {
    best_m = p + 1;
    for (order = 0; order < 2; order++) {
      double limit;
      for (m = 0, j = 0; j < p; j++) if (!barred[j]) pick[m++] = j;
      limit = nrxi_dyn_max(1.06, 1.03 * nrxi_dyn_gamma_of(p, R, W, pick, m, NULL, work));
      for (i = 1; i < p; i++) { /* the constant stays */
        size_t out_term = order ? p - i : i, t = 0;
        for (j = 0; j < m; j++) if (pick[j] != out_term) trial[t++] = pick[j];
        if (t == m || t < 2 || nrxi_dyn_gamma_of(p, R, W, trial, t, NULL, work) > limit) continue;
        memcpy(pick, trial, t * sizeof(size_t));
        m = t;
      }
      if (m < best_m) { best_m = m; memcpy(best, pick, m * sizeof(size_t)); }
    }
    (void)nrxi_dyn_gamma_of(p, R, W, best, best_m, c, work);
    for (j = 0, l = 0, i = 1; i < best_m; i++) { /* the barred term: the heaviest of this result */
      double size = 0, was = 0;
      for (m = 0; m < p; m++) { size += R[m * p + best[i]] * R[m * p + best[i]];
        was += R[m * p + best[l]] * R[m * p + best[l]]; }
      if (l == 0 || fabs(c[i]) * sqrt(size) > fabs(c[l]) * sqrt(was)) l = i;
    }
    barred[best[l]] = 1;
    for (j = 0; j < best_m; j++) out[q * p + best[j]] = c[j];
  }
  nrxi_free(env, pick);
  nrxi_free(env, mem);
  return NRX_OK;
}

/* Looks at the leading p terms; null vectors (unscaled, in the coordinates used) to `vectors` [..][p] when it
 * is not NULL. */
static nrx_status nrxi_dyn_audit_degree_of(nrx_dyn_auditor *a, size_t p, nrx_dyn_audit_degree *g,
    double *vectors)
{
  const nrx_env *env = &a->d.env;
  size_t P = a->terms.p, i, j, k;
  double *m = (double *)nrxi_alloc(env, 3 * p * p + 3 * p + nrxi_dyn_svd_work(p, p), sizeof(double)), *A, *U,
      *Vt, *s, *norm, *work;
  const double *R = a->theta.R, *W = a->slope.R;
  nrx_status st;
  int noisy = a->d.noise > 0;
  if (!m) return NRX_E_NOMEM;
  A = m; U = A + p * p; Vt = U + p * p; s = Vt + p * p; norm = s + p; work = norm + 2 * p;
  memset(g, 0, sizeof *g);
  g->terms = p;
  for (j = 0; j < p; j++) {
    norm[j] = 0.0;
    for (i = 0; i <= j; i++) norm[j] += R[i * P + j] * R[i * P + j];
    norm[j] = sqrt(norm[j]);
    if (!(norm[j] > 0)) norm[j] = 1.0;
  }
  for (i = 0; i < p; i++) for (j = 0; j < p; j++) A[i * p + j] = i <= j ? R[i * P + j] / norm[j] : 0.0;
  st = nrxi_dyn_svd(p, p, A, s, U, Vt, work);
  if (st == NRX_OK) {
    g->ratio = s[p - 1] / s[0];
    for (i = 0; i + 1 < p; i++) {
      double q = s[i + 1] > 0 ? s[i] / s[i + 1] : 1e300;
      if (q > g->gap) { g->gap = q; g->gap_at = i + 1; }
    }
    if (!noisy)
      for (i = 0; i < p; i++) if (s[i] < a->d.tolerance * s[0]) {
        if (vectors) for (j = 0; j < p; j++) vectors[g->null * p + j] = Vt[i * p + j] / norm[j];
        g->null++;
      }
  }
  if (noisy && st == NRX_OK) { /* singular values of W R^-1: the largest belong to the directions the noise
            explains */
    for (i = 0; i < p; i++)
      for (j = 0; j < p; j++) {
        double v = i <= j ? W[i * P + j] : 0.0, d = R[j * P + j];
        for (k = 0; k < j; k++) v -= A[i * p + k] * R[k * P + j];
        if (fabs(d) < 1e-14 * norm[j]) d = 1e-14 * norm[j];
        A[i * p + j] = v / d;
      }
    st = nrxi_dyn_svd(p, p, A, s, U, Vt, work);
    for (i = 0; i < p && st == NRX_OK; i++) {
      double gamma = s[i] > 0 ? 1.0 / s[i] : HUGE_VAL;
      if (i == 0) g->gamma = gamma;
      if (gamma < 1.1) {
        if (vectors) { /* c = R^-1 v */
          double *c = vectors + g->null * p;
          for (j = p; j-- > 0;) {
            double v = Vt[i * p + j];
            for (k = j + 1; k < p; k++) v -= R[j * P + k] * c[k];
            c[j] = v / R[j * P + j];
          }
        }
        g->null++;
      } else if (gamma < 3.0) g->undecided++;
    }
  }
  nrxi_free(env, m);
  return st;
}

NRX_DEF void nrx_dyn_audit_free(nrx_dyn_audit_report *r)
{
  nrx_env env;
  if (!r) return;
  env = r->env;
  nrxi_free(&env, r->integral);
  nrxi_free(&env, r->experiment);
  nrxi_free(&env, r->text);
  nrxi_free(&env, r);
}

static void nrxi_dyn_audit_text(const nrx_dyn_auditor *a, const nrx_dyn_audit_report *r, nrxi_dyn_writer *w)
{
  size_t i, j;
  int g;
  const nrx_dyn_audit_degree *last = &r->degree[r->degrees - 1];
#define NRXI_DYN_SAY(s) nrxi_dyn_write(w, s)
#define NRXI_DYN_NUM(v, dec) nrxi_dyn_write_number(w, (double)(v), dec)
  NRXI_DYN_SAY("Discoverability audit: "); NRXI_DYN_NUM(r->samples, 0); NRXI_DYN_SAY(" samples of ");
  NRXI_DYN_NUM(r->d, 0); NRXI_DYN_SAY(" states, ");
  if (r->noise > 0) { NRXI_DYN_SAY("relative noise "); NRXI_DYN_NUM(r->noise, -2); }
  else NRXI_DYN_SAY("taken as clean");
  NRXI_DYN_SAY(".\nFunction class: ");
  if (a->affine) { NRXI_DYN_SAY("polynomials of degree "); NRXI_DYN_NUM(a->d.library.degree, 0);
    NRXI_DYN_SAY(" ("); }
  else NRXI_DYN_SAY("the span of a custom library (");
  NRXI_DYN_NUM(last->terms, 0); NRXI_DYN_SAY(" terms per equation).\n");
  for (g = 0; g < r->degrees; g++) {
    const nrx_dyn_audit_degree *q = &r->degree[g];
    NRXI_DYN_SAY(a->affine ? "  degree " : "  library"); if (a->affine) NRXI_DYN_NUM(g + 1, 0);
    NRXI_DYN_SAY(": "); NRXI_DYN_NUM(q->terms, 0); NRXI_DYN_SAY(" terms, smallest/largest singular value ");
    NRXI_DYN_NUM(q->ratio, -2);
    if (r->noise > 0) { NRXI_DYN_SAY(", smallest signal to noise "); NRXI_DYN_NUM(q->gamma, -2); }
    NRXI_DYN_SAY(", "); NRXI_DYN_NUM(q->null, 0); NRXI_DYN_SAY(" vanish");
    if (q->undecided) { NRXI_DYN_SAY(", "); NRXI_DYN_NUM(q->undecided, 0);
      NRXI_DYN_SAY(" hidden by the noise"); }
    NRXI_DYN_SAY("\n");
  }
  if (r->exponent != 0 || r->dimension != 0) {
    NRXI_DYN_SAY("Largest Lyapunov exponent "); NRXI_DYN_NUM(r->exponent, -2); NRXI_DYN_SAY(" +- ");
    NRXI_DYN_NUM(r->exponent_error, -2);
    NRXI_DYN_SAY(a->d.field ? "; Kaplan-Yorke dimension " : "; correlation dimension ");
    NRXI_DYN_NUM(r->dimension, -2);
    NRXI_DYN_SAY(" +- "); NRXI_DYN_NUM(r->dimension_error, -2); NRXI_DYN_SAY(" of "); NRXI_DYN_NUM(r->d, 0);
    NRXI_DYN_SAY(" states; boxes visited "); NRXI_DYN_NUM(100 * r->coverage, 1);
    NRXI_DYN_SAY(" %, widest hole "); NRXI_DYN_NUM(r->largest_hole, 2); NRXI_DYN_SAY(" of the box.\n");
  }
  NRXI_DYN_SAY("Verdict: ");
  if (r->verdict == NRX_DYN_UNDECIDED) {
    NRXI_DYN_SAY("UNDECIDED at this noise. In this class "); NRXI_DYN_NUM(last->undecided + last->null, 0);
    NRXI_DYN_SAY(" combinations of terms are too small on the data to be told from noise: coefficients along "
        "them are not determined.\n" "Use a smaller class, less noise, or data that move further.\n");
  } else if (r->verdict == NRX_DYN_OBSTRUCTED) {
    NRXI_DYN_SAY("NOT DISCOVERABLE from these data in this class. These combinations keep one value on all "
                 "samples:\n");
    for (i = 0; i < r->n_integrals; i++) {
      double value = 0.0;
      NRXI_DYN_SAY("  I"); NRXI_DYN_NUM(i + 1, 0); NRXI_DYN_SAY(" =");
      for (g = 0, j = 0; j < r->n_terms; j++) {
        double c = r->integral[i * r->n_terms + j];
        if (c == 0.0) continue;
        if (j == 0 && a->terms.parent[0] == -2) { value = -c; continue; }
        NRXI_DYN_SAY(c < 0 ? (g ? " - " : " -") : g ? " + " : " "); g = 1;
        NRXI_DYN_NUM(fabs(c), 4); NRXI_DYN_SAY(" ");
        nrxi_dyn_write_term(w, &a->terms, j, NULL, r->d, 0);
      }
      NRXI_DYN_SAY(" = "); NRXI_DYN_NUM(value, 4); NRXI_DYN_SAY("\n");
    }
    NRXI_DYN_SAY("Any multiple of (I - its value) can be added to any equation without changing the fit: a "
                 "family of ");
    NRXI_DYN_NUM(r->free_parameters, 0);
    NRXI_DYN_SAY(" free parameters of equally good models.\nAn experiment that separates them starts where I "
                 "differs, for instance at (");
    for (j = 0; r->experiment && j < r->d; j++) { if (j) NRXI_DYN_SAY(", ");
      NRXI_DYN_NUM(r->experiment[j], -2); }
    NRXI_DYN_SAY(").\nChaos would not help: a first integral obstructs every analytic class (for data on "
                 "finitely many of its levels).\n");
  } else {
    NRXI_DYN_SAY("UNIQUE in this class: no combination of its terms vanishes on the data");
    if (r->noise > 0) { NRXI_DYN_SAY(", each stands at least "); NRXI_DYN_NUM(last->gamma, 1);
      NRXI_DYN_SAY(" times above the noise"); }
    NRXI_DYN_SAY(".\n");
    if (r->verdict == NRX_DYN_ANALYTIC)
      NRXI_DYN_SAY("The attractor's dimension exceeds d - 1: the sufficient criterion for uniqueness among "
                   "all real-analytic fields is met too.\n");
    else NRXI_DYN_SAY("Beyond this class nothing is claimed (the dimension criterion for analytic fields is "
                      "sufficient, not necessary).\n");
  }
#undef NRXI_DYN_SAY
#undef NRXI_DYN_NUM
  nrxi_dyn_write_end(w);
}

/* The verdict from the factors; what needs the samples themselves was filled in before. */
static nrx_status nrxi_dyn_audit_conclude(nrx_dyn_auditor *a, nrx_dyn_audit_report *r)
{
  const nrx_env *env = &a->d.env;
  size_t p = 0, i, k, P = a->terms.p;
  int g, degrees = a->affine ? a->d.library.degree : 1;
  double *v;
  nrxi_dyn_writer w;
  nrx_status st = nrx_dyn_stream_finish(&a->theta);
  if (st == NRX_OK && a->d.noise > 0) st = nrx_dyn_stream_finish(&a->slope);
  if (st != NRX_OK) return st;
  if (degrees > NRX_DYN_AUDIT_DEGREES) return NRX_E_RANGE;
  r->d = a->n;
  r->samples = a->theta.rows;
  r->degrees = degrees;
  r->noise = a->d.noise > 0 ? a->d.noise : 0.0;
  v = (double *)nrxi_alloc(env, 2 * P * P, sizeof(double));
  if (!v) return NRX_E_NOMEM;
  for (g = 0; g < degrees && st == NRX_OK; g++) {
    nrx_dyn_library lib = a->d.library;
    if (a->affine) lib.degree = g + 1;
    p = a->affine ? nrx_dyn_library_size(&lib, a->n) : P;
    st = nrxi_dyn_audit_degree_of(a, p, &r->degree[g], v);
    k = r->degree[g].null;
    /* the lowest degree with certain null vectors names the integrals */
    if (st == NRX_OK && k && !r->integral && r->degree[g].undecided == 0 && (r->noise == 0 || k < p / 2)) {
      r->integral = (double *)nrxi_alloc(env, k * p, sizeof(double));
      if (!r->integral) { st = NRX_E_NOMEM; break; }
      if (a->affine && r->noise > 0) st = nrxi_dyn_sparse_nulls(a, p, k, r->integral);
      else {
        for (i = 0; a->affine && i < k; i++) nrxi_dyn_to_raw(a, p, v + i * p, v + P * P);
        memcpy(r->integral, v, k * p * sizeof(double));
        nrxi_dyn_echelon(k, p, a->terms.parent[0] == -2, r->integral, r->noise > 0 ? r->noise : 1e-7);
      }
      for (i = 0; i < k; i++) { /* the largest coefficient of a varying term is 1 */
        double *row = r->integral + i * p, big = 0;
        size_t j;
        for (j = a->terms.parent[0] == -2; j < p; j++) if (fabs(row[j]) > fabs(big) * (1 + 1e-6))
          big = row[j];
        for (j = 0; j < p && big != 0; j++) row[j] /= big;
      }
      r->n_integrals = k;
      r->n_terms = p;
      r->integral_degree = a->affine ? g + 1 : 0;
    }
  }
  nrxi_free(env, v);
  if (st != NRX_OK) return st;
  {
    const nrx_dyn_audit_degree *last = &r->degree[degrees - 1];
    r->free_parameters = last->null * a->n;
    if (r->integral) r->verdict = NRX_DYN_OBSTRUCTED;
    else if (last->undecided || last->null) r->verdict = NRX_DYN_UNDECIDED;
    else r->verdict = r->dimension > (double)a->n - 1 + 2 * r->dimension_error
        && r->exponent > 2 * r->exponent_error ? NRX_DYN_ANALYTIC : NRX_DYN_UNIQUE;
  }
  if (r->integral) { /* where would a new orbit tell most: largest first integral defect in 1.5 deviations
                        around the mean */
    nrx_rng rng;
    double best = -1.0, x[64], f;
    size_t t, j;
    r->experiment = (double *)nrxi_calloc(env, a->n, sizeof(double));
    if (!r->experiment) return NRX_E_NOMEM;
    nrx_rng_seed(&rng, 1, 0);
    for (t = 0; t < 400 && a->n <= 64; t++) {
      double *F = a->F;
      for (j = 0; j < a->n; j++) x[j] = a->affine
          ? a->shift[j] + 1.5 * a->scale[j] * (2 * nrx_rng_uniform(&rng) - 1)
              : (0.5 + 2 * nrx_rng_uniform(&rng)) * fabs(a->noise[a->n + j]);
      nrxi_dyn_terms_eval(&a->terms, 1, x, F, 1);
      for (f = 0.0, j = 0; j < r->n_terms; j++) f += r->integral[j] * F[j];
      if (nrxi_finite_f64(&f) && fabs(f) > best) { best = fabs(f);
        memcpy(r->experiment, x, a->n * sizeof(double)); }
    }
  }
  w.text = NULL; w.size = 0; w.length = 0;
  nrxi_dyn_audit_text(a, r, &w);
  w.size = w.length + 1;
  w.length = 0;
  w.text = r->text = (char *)nrxi_alloc(env, w.size, 1);
  if (!r->text) return NRX_E_NOMEM;
  nrxi_dyn_audit_text(a, r, &w);
  return NRX_OK;
}

NRX_DEF nrx_status nrx_dyn_auditor_finish(nrx_dyn_auditor *a, nrx_dyn_audit_report **out)
{
  nrx_dyn_audit_report *r;
  nrx_status st;
  if (!a || !out) return NRX_E_ARG;
  *out = NULL;
  if (a->theta.rows < a->terms.p + 1)
    return nrxi_fail(&a->d.env, NRX_E_ARG, "nrx_dyn_audit: %zu samples cannot decide about %zu terms",
        a->theta.rows, a->terms.p);
  r = (nrx_dyn_audit_report *)nrxi_calloc(&a->d.env, 1, sizeof *r);
  if (!r) return nrxi_dyn_oom(&a->d.env, "nrx_dyn_audit");
  r->env = a->d.env;
  st = nrxi_dyn_audit_conclude(a, r);
  if (st != NRX_OK) { nrx_dyn_audit_free(r);
    return nrxi_fail(&a->d.env, st, "nrx_dyn_audit: %s", nrx_status_string(st)); }
  *out = r;
  return NRX_OK;
}

/* Exponent from the growth of nearest-neighbour distances, correlation dimension, coverage: at most 3000
 * samples are used. */
static nrx_status nrxi_dyn_audit_geometry(const nrx_dyn_data *q, const nrx_dyn_auditor *a,
    nrx_dyn_audit_report *r)
{
  const nrx_env *env = &a->d.env;
  size_t n = q->n, d = q->d, step = n > 3000 ? n / 3000 : 1, m = n / step, i, j, k, kmax = 40, filled = 0,
      cells = 1, per = 10;
  double dt = (q->t ? (q->t[n - 1] - q->t[0]) / (double)(n - 1) : q->dt), *mem, *S, *Z, *low, slope[3],
      lo = 0, hi = 0, radius[12], C[12];
  unsigned char *box;
  nrx_status st = NRX_OK;
  if (m < 200) return NRX_OK;
  mem = (double *)nrxi_calloc(env, n * d + 3 * n + 2 * kmax + 2, sizeof(double));
  if (!mem) return NRX_E_NOMEM;
  Z = mem; S = Z + n * d;
  for (i = 0; i < n; i++) for (j = 0; j < d; j++)
    Z[i * d + j] = q->x[i * d + j] / (a->affine ? a->scale[j] : nrxi_dyn_max(1e-300, fabs(a->noise[d + j])));
  { /* mean log distance of nearest neighbours after k samples, in steps that cover about two e-foldings of
       growth or the data's tenth */
    double *count = S + kmax + 1;
    size_t hop = 1 + n / 2000;
    for (i = 0; i + kmax * hop < n; i += step) {
      size_t best = n;
      double least = HUGE_VAL;
      for (j = 0; j + kmax * hop < n; j += step) {
        double d2;
        if ((i > j ? i - j : j - i) < 30 * hop) continue;
        d2 = nrxi_dyn_dist2(d, Z + i * d, Z + j * d);
        if (d2 < least && d2 > 0) { least = d2; best = j; }
      }
      if (best == n) continue;
      for (k = 0; k <= kmax; k++) {
        double v = nrxi_dyn_dist2(d, Z + (i + k * hop) * d, Z + (best + k * hop) * d);
        if (v > 0) { S[k] += 0.5 * log(v); count[k] += 1; }
      }
    }
    for (k = 0; k <= kmax; k++) if (count[k] > 0) S[k] /= count[k];
    lo = hi = S[0];
    for (k = 0; k <= kmax; k++) { lo = nrxi_dyn_min(lo, S[k]); hi = nrxi_dyn_max(hi, S[k]); }
    for (k = 0; k <= kmax && S[k] < lo + 0.75 * (hi - lo); k++) { }
    if (k < 6) k = 6;
    for (i = 0; i <= kmax; i++) count[i] = (double)(i * hop) * dt;
    slope[0] = nrx_dyn_slope(k - 1, count + 1, S + 1, NULL);
    slope[1] = nrx_dyn_slope(k / 2, count + 1, S + 1, NULL);
    slope[2] = nrx_dyn_slope(k - k / 2, count + k / 2, S + k / 2, NULL);
    r->exponent = slope[0];
    r->exponent_error = 0.5 * fabs(slope[1] - slope[2]) + 0.05 * fabs(slope[0]);
  }
  for (i = 0; i < m; i++) memmove(Z + i * d, Z + i * step * d, d * sizeof(double));
  for (k = 0; k < 12; k++) radius[k] = 0.08 * pow(1.25, (double)k);
  st = nrx_dyn_correlation_sum(m, d, Z, step > 20 ? 1 : 20 / step, 12, radius, C);
  for (k = 0, i = 0; k < 12 && st == NRX_OK; k++)
    if (C[k] * (double)m * (double)m > 200) { radius[i] = log(radius[k]); C[i++] = log(C[k]); }
  if (i >= 6) {
    slope[0] = nrx_dyn_slope(i, radius, C, NULL);
    slope[1] = nrx_dyn_slope(i / 2, radius, C, NULL);
    slope[2] = nrx_dyn_slope(i - i / 2, radius + i / 2, C + i / 2, NULL);
    r->dimension = slope[0];
    r->dimension_error = 0.5 * fabs(slope[1] - slope[2]) + 0.02 * slope[0];
  }
  while (per > 1) {
    for (cells = 1, j = 0; j < d && cells <= 1000000; j++) cells *= per;
    if (cells <= 1000000) break;
    per--;
  }
  low = S; /* the box of the data */
  for (j = 0; j < d && 2 * d < 3 * n; j++)
    for (low[j] = low[d + j] = q->x[j], i = 1; i < n; i++) {
      low[j] = nrxi_dyn_min(low[j], q->x[i * d + j]);
      low[d + j] = nrxi_dyn_max(low[d + j], q->x[i * d + j]);
    }
  box = (unsigned char *)nrxi_calloc(env, cells, 1);
  if (!box) st = NRX_E_NOMEM;
  for (i = 0; box && i < n; i++) {
    size_t at = 0;
    for (j = 0; j < d; j++) {
      double l = a->d.lo && a->d.hi ? a->d.lo[j] : low[j],
          h = a->d.lo && a->d.hi ? a->d.hi[j] : low[d + j] * (1 + 1e-12) + 1e-300, u;
      u = (q->x[i * d + j] - l) / (h - l) * (double)per;
      if (!(u >= 0) || u >= (double)per) { at = cells; break; }
      at = at * per + (size_t)u;
    }
    if (at < cells && !box[at]) { box[at] = 1; filled++; }
  }
  r->coverage = (double)filled / (double)cells;
  if (box) { /* widest hole: largest Chebyshev distance of a cell to a filled one, by dilation */
    size_t left = cells - filled, width = 0;
    while (left && filled && width < per) {
      size_t stride = 1;
      for (j = 0; j < d; j++, stride *= per)
        for (i = 0; i < cells; i++) {
          size_t c = i / stride % per;
          if (box[i] == 0 && ((c > 0 && box[i - stride] == 1) || (c + 1 < per && box[i + stride] == 1)))
            box[i] = 2;
        }
      for (left = 0, i = 0; i < cells; i++) { if (box[i] == 2) box[i] = 1; left += box[i] == 0; }
      width++;
    }
    r->largest_hole = (double)width / (double)per;
    nrxi_free(env, box);
  }
  nrxi_free(env, mem);
  return st;
}

NRX_DEF nrx_status nrx_dyn_audit(const nrx_dyn_data *data, const nrx_dyn_audit_desc *desc,
    nrx_dyn_audit_report **out)
{
  nrx_dyn_audit_desc d = NRX_ZERO;
  nrx_dyn_auditor *a = NULL;
  nrx_dyn_audit_report *r = NULL;
  double *clean = NULL, *level;
  size_t i, j, n = 0, at, tr, first;
  const char *why;
  nrx_status st;
  if (desc) d = *desc;
  if (!out) return nrxi_fail(&d.env, NRX_E_ARG, "nrx_dyn_audit: out is NULL");
  *out = NULL;
  why = nrxi_dyn_data_check(data, &at);
  if (why) return nrxi_fail(&d.env, why[0] == 'a' ? NRX_E_NUMERIC : NRX_E_ARG,
      "nrx_dyn_audit: %s (index %zu)", why, at);
  clean = data->n <= (size_t)-1 / (data->d + 1) / 16
      ? (double *)nrxi_alloc(&d.env, (data->n + 1) * data->d, sizeof(double)) : NULL;
  if (!clean) return nrxi_dyn_oom(&d.env, "nrx_dyn_audit");
  level = clean + data->n * data->d;
  if (d.noise == 0) { /* estimate, the largest over the states relative to its deviation */
    st = nrx_dyn_noise_level(data->n, data->d, data->x, level);
    for (j = 0; st == NRX_OK && j < data->d; j++) {
      double m = 0, v = 0, c = 0;
      for (i = 0; i < data->n; i++) { double x = data->x[i * data->d + j];
        if (nrxi_finite_f64(&x)) { m += x; v += x * x; c += 1; } }
      v = sqrt(nrxi_dyn_max(v / c - m / c * m / c, 1e-300));
      d.noise = nrxi_dyn_max(d.noise, level[j] / v);
    }
    if (st != NRX_OK) goto done;
    if (d.noise < 1e-9) d.noise = -1;
  }
  st = nrx_dyn_auditor_create(data->d, &d, &a);
  if (st != NRX_OK) goto done;
  for (i = 0; i < data->n; i++) /* missing rows are left out */
    if (nrxi_dyn_row_ok(data->d, data->x + i * data->d))
      memcpy(clean + data->d * n++, data->x + i * data->d, data->d * sizeof(double));
  st = nrxi_dyn_audit_scale(a, n, clean);
  for (j = 0; st == NRX_OK && j < data->d; j++) { /* deviations for the unscaled case */
    double m = 0, v = 0;
    for (i = 0; i < n; i++) m += clean[i * data->d + j] / (double)n;
    for (i = 0; i < n; i++) v += (clean[i * data->d + j] - m) * (clean[i * data->d + j] - m) / (double)n;
    a->noise[data->d + j] = sqrt(v);
  }
  if (st == NRX_OK && d.centre_orbits && data->lengths) { /* terms less their mean on each orbit, without the
            constant */
    size_t p = a->terms.p, k;
    double *T = (double *)nrxi_alloc(&d.env, data->n * p, sizeof(double));
    nrx_dyn_library lib = a->d.library;
    st = T ? NRX_OK : NRX_E_NOMEM;
    for (i = 0; st == NRX_OK && i < n; i++) for (j = 0; j < data->d; j++)
      clean[i * data->d + j] = (clean[i * data->d + j] - a->shift[j]) / a->scale[j];
    if (st == NRX_OK) st = nrx_dyn_library_eval(&lib, n, data->d, clean, T);
    for (first = 0, tr = 0; st == NRX_OK && tr < data->n_trajectories && n == data->n; tr++) {
      size_t len = data->lengths[tr];
      for (k = a->terms.parent[0] == -2; k < p; k++) {
        double m = 0;
        for (i = 0; i < len; i++) m += T[(first + i) * p + k] / (double)len;
        for (i = 0; i < len; i++) T[(first + i) * p + k] -= m;
      }
      first += len;
    }
    if (st == NRX_OK) st = nrx_dyn_stream_push(&a->theta, n, T);
    nrxi_free(&d.env, T);
  } else if (st == NRX_OK) st = nrx_dyn_auditor_push(a, n, clean);
  if (st != NRX_OK) goto done;
  if (a->theta.rows < a->terms.p + 1) {
    st = nrxi_fail(&d.env, NRX_E_ARG, "nrx_dyn_audit: %zu samples cannot decide about %zu terms", n,
        a->terms.p);
    goto done;
  }
  r = (nrx_dyn_audit_report *)nrxi_calloc(&d.env, 1, sizeof *r);
  if (!r) { st = NRX_E_NOMEM; goto done; }
  r->env = d.env;
  st = nrxi_dyn_audit_geometry(data, a, r);
  if (st == NRX_OK && d.field && d.field->n == data->d && data->d <= 64) {
    double l[64], e[64];
    nrx_dyn_lyapunov_desc ld = NRX_ZERO;
    nrx_dyn_lyapunov_info li;
    double span = data->t ? data->t[data->n - 1] - data->t[0] : data->dt * (double)data->n;
    ld.time = 20 * span;
    ld.transient = 0.1 * span;
    ld.env = d.env;
    if (nrx_dyn_lyapunov(d.field, clean + (n - 1) * data->d, &ld, l, e, &li) == NRX_OK) {
      r->exponent = l[0];
      r->exponent_error = e[0];
      r->dimension = li.kaplan_yorke;
      r->dimension_error = data->d > 1 && l[data->d - 1] != 0 ? (e[0] + e[1]) / fabs(l[data->d - 1]) : 0.0;
    }
  }
  if (st == NRX_OK) st = nrxi_dyn_audit_conclude(a, r);
done:
  if (st != NRX_OK) { nrx_dyn_audit_free(r);
    if (st == NRX_E_NOMEM) (void)nrxi_fail(&d.env, st, "nrx_dyn_audit: out of memory"); }
  else *out = r;
  nrx_dyn_auditor_free(a);
  nrxi_free(&d.env, clean);
  return st;
}

NRX_DEF nrx_status nrx_dyn_first_integrals(const nrx_vfield *f, const double *lo, const double *hi,
    int degree, size_t points, uint64_t seed, size_t max, double *integrals, size_t *null, double *ratio)
{
  nrx_dyn_library lib = NRX_ZERO;
  nrxi_dyn_terms w;
  nrx_dyn_stream s;
  nrx_rng rng;
  double *m, *x, *F, *A, *U, *Vt, *sv, *work;
  size_t n, p, i, j, k, q;
  nrx_status st;
  if (!f || !f->f || f->n == 0 || !lo || !hi || degree < 1 || !null)
    return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_first_integrals: needs a field, a box and degree >= 1");
  n = f->n;
  lib.degree = degree;
  st = nrxi_dyn_terms_make(&w, &lib, n, NULL);
  if (st != NRX_OK) return nrxi_fail(NULL, st, "nrx_dyn_first_integrals: too many terms");
  p = w.p;
  q = p - 1;
  if (points < 2 * p) points = 2 * p;
  m = (double *)nrxi_alloc(NULL, 3 * n + 3 * p + 3 * q * q + q + nrxi_dyn_svd_work(q, q), sizeof(double));
  st = m ? nrx_dyn_stream_create(&s, q, NULL) : NRX_E_NOMEM;
  if (st != NRX_OK) { nrxi_free(NULL, w.parent); nrxi_free(NULL, m);
    return nrxi_fail(NULL, st, "nrx_dyn_first_integrals: out of memory"); }
  x = m; F = x + 3 * n; A = F + 3 * p; U = A + q * q; Vt = U + q * q; sv = Vt + q * q; work = sv + q;
  nrx_rng_seed(&rng, seed, 0);
  for (i = 0; i < points && st == NRX_OK; i++) { /* states scaled to the box: z in [-1, 1] */
    double *z = x, *raw = x + n, *v = x + 2 * n, *row = F + p;
    for (j = 0; j < n; j++) { z[j] = 2 * nrx_rng_uniform(&rng) - 1;
      raw[j] = 0.5 * (lo[j] + hi[j]) + 0.5 * (hi[j] - lo[j]) * z[j]; }
    st = f->f(f->user, 0.0, raw, v);
    nrxi_dyn_terms_eval(&w, 1, z, F, 1);
    for (k = 0; k < q; k++) { /* d/dt of a product of variables, by the parent recursion */
      size_t t = k + 1, par = w.parent[t] < 0 ? 0 : (size_t)w.parent[t], var = (size_t)w.var[t];
      row[k] = (par ? row[par - 1] * z[var] : 0.0) + F[par] * v[var] / (0.5 * (hi[var] - lo[var]));
    }
    if (st == NRX_OK) st = nrx_dyn_stream_push(&s, 1, row);
  }
  if (st == NRX_OK) st = nrx_dyn_stream_finish(&s);
  for (j = 0; j < q && st == NRX_OK; j++) {
    double norm = 0;
    for (i = 0; i < q; i++) norm += s.R[i * q + j] * s.R[i * q + j];
    norm = norm > 0 ? sqrt(norm) : 1.0;
    F[j] = norm;
    for (i = 0; i < q; i++) A[i * q + j] = s.R[i * q + j] / norm;
  }
  if (st == NRX_OK) st = nrxi_dyn_svd(q, q, A, sv, U, Vt, work);
  *null = 0;
  for (i = 0; i < q && st == NRX_OK; i++)
    if (sv[i] < 1e-10 * sv[0]) {
      if (integrals && *null < max) for (j = 0; j < q; j++) integrals[*null * q + j] = Vt[i * q + j] / F[j];
      ++*null;
    }
  if (ratio && st == NRX_OK) *ratio = sv[q - 1] / sv[0];
  nrx_dyn_stream_free(&s);
  nrxi_free(NULL, m);
  nrxi_free(NULL, w.parent);
  return st == NRX_OK ? st : nrxi_fail(NULL, st,
      "nrx_dyn_first_integrals: the field cannot be evaluated in the box");
}

/* ======================================== Koopman operators ================ */

NRX_DEF void nrx_dyn_spectrum_free(nrx_dyn_spectrum *s)
{
  nrx_env env;
  if (!s) return;
  env = s->env;
  nrxi_free(&env, s->mem);
  memset(s, 0, sizeof *s);
}

static nrx_status nrxi_dyn_spectrum_new(nrx_dyn_spectrum *s, size_t n, size_t r, const nrx_env *env)
{
  memset(s, 0, sizeof *s);
  s->env = *env;
  s->n = n;
  s->r = r;
  s->mem = (double *)nrxi_calloc(env, 2 * r + 2 * n * r + 2 * r + r + 2 * r * r, sizeof(double));
  if (!s->mem) return NRX_E_NOMEM;
  s->eigenvalues = s->mem; s->modes = s->eigenvalues + 2 * r; s->amplitudes = s->modes + 2 * n * r;
  s->residuals = s->amplitudes + 2 * r; s->A = s->residuals + r; s->E = s->A + r * r;
  return NRX_OK;
}

/* Eigenpairs of A [r][r] (kept in s->A), by decreasing modulus; vectors V [r][r][2]; residuals |E v| /
 * |v|. */
static nrx_status nrxi_dyn_spectrum_solve(nrx_dyn_spectrum *s, double *V)
{
  size_t r = s->r, i, j, k;
  double *m = (double *)nrxi_alloc(&s->env, 3 * r * r + 2 * r + nrxi_dyn_eig_work(r), sizeof(double)), *w, *v,
      *key;
  size_t *order = (size_t *)nrxi_alloc(&s->env, r, sizeof(size_t));
  nrx_status st = m && order ? NRX_OK : NRX_E_NOMEM;
  if (st == NRX_OK) {
    v = m + r * r; key = v + 2 * r * r; w = s->amplitudes;
    memcpy(m, s->A, r * r * sizeof(double));
    st = nrxi_dyn_eig(r, m, w, v, key + 2 * r);
    for (i = 0; i < r; i++) key[i] = -hypot(w[2 * i], w[2 * i + 1]) * (1 - 1e-12 * (w[2 * i + 1] > 0));
    if (st == NRX_OK) nrxi_dyn_order(r, key, order);
    for (i = 0; i < r && st == NRX_OK; i++) {
      size_t o = order[i];
      double norm = 0, res = 0, pr, pi;
      s->eigenvalues[2 * i] = w[2 * o];
      s->eigenvalues[2 * i + 1] = w[2 * o + 1];
      for (k = 0, j = 1; j < r; j++) /* phase: the largest component is real and positive, so conjugate pairs
            are conjugate */
        if (hypot(v[2 * (j * r + o)], v[2 * (j * r + o) + 1]) > 1.0001
            * hypot(v[2 * (k * r + o)], v[2 * (k * r + o) + 1])) k = j;
      pr = v[2 * (k * r + o)]; pi = v[2 * (k * r + o) + 1]; res = hypot(pr, pi); pr /= res; pi /= res;
      res = 0;
      for (j = 0; j < r; j++) {
        V[2 * (j * r + i)] = v[2 * (j * r + o)] * pr + v[2 * (j * r + o) + 1] * pi;
        V[2 * (j * r + i) + 1] = v[2 * (j * r + o) + 1] * pr - v[2 * (j * r + o)] * pi;
        norm += v[2 * (j * r + o)] * v[2 * (j * r + o)] + v[2 * (j * r + o) + 1] * v[2 * (j * r + o) + 1];
      }
      for (j = 0; j < r; j++) {
        double a = 0, b = 0;
        for (k = 0; k < r; k++) { a += s->E[j * r + k] * V[2 * (k * r + i)];
          b += s->E[j * r + k] * V[2 * (k * r + i) + 1]; }
        res += a * a + b * b;
      }
      s->residuals[i] = sqrt(res / norm);
    }
    memset(w, 0, 2 * r * sizeof(double));
  }
  nrxi_free(&s->env, m);
  nrxi_free(&s->env, order);
  return st;
}

/* Complex least squares through reals: min |P b - x|, P [m][r][2], x [m][2] -> b [r][2]. */
static nrx_status nrxi_dyn_complex_lstsq(size_t m, size_t r, const double *P, const double *x, double *b,
    const nrx_env *env)
{
  size_t i, j, M = 2 * m, R = 2 * r, big = M > R ? M : R;
  double *a = (double *)nrxi_alloc(env, M * R + big + nrxi_dyn_lstsq_work(M, R, 1), sizeof(double)), *y;
  nrx_status st;
  if (!a) return NRX_E_NOMEM;
  y = a + M * R;
  for (i = 0; i < m; i++) {
    for (j = 0; j < r; j++) {
      double u = P[2 * (i * r + j)], v = P[2 * (i * r + j) + 1];
      a[2 * i * R + 2 * j] = u; a[2 * i * R + 2 * j + 1] = -v;
      a[(2 * i + 1) * R + 2 * j] = v; a[(2 * i + 1) * R + 2 * j + 1] = u;
    }
    y[2 * i] = x[2 * i]; y[2 * i + 1] = x[2 * i + 1];
  }
  st = nrxi_dyn_lstsq(M, R, a, y, 1, -1.0, NULL, y + big);
  if (st == NRX_OK) memcpy(b, y, R * sizeof(double));
  nrxi_free(env, a);
  return st;
}

NRX_DEF nrx_status nrx_dyn_dmd(size_t m, size_t n, const double *x, const double *y,
    const nrx_dyn_dmd_desc *desc, nrx_dyn_spectrum *out)
{
  nrx_dyn_dmd_desc d = NRX_ZERO;
  size_t q, N, M, k, r, i, j, l, total;
  double *mem = NULL, *X, *Y, *U, *Vt, *s, *work, *B, *W;
  nrx_status st;
  if (desc) d = *desc;
  q = d.delays ? d.delays : 1;
  if (!x || !out || n == 0 || m < q + 1 || !nrxi_mul_ok(n, q, &N))
    return nrxi_fail(&d.env, NRX_E_ARG, "nrx_dyn_dmd: %zu snapshots are too few for %zu delays", m, q);
  memset(out, 0, sizeof *out);
  M = m - q + 1 - (y ? 0 : 1);
  k = M < N ? M : N;
  if (M == 0 || !nrxi_mul_ok(M, N, &total) || total > (size_t)-1 / 64)
    return nrxi_fail(&d.env, NRX_E_RANGE, "nrx_dyn_dmd: too few or too many snapshots");
  if (!nrxi_all_finite(x, m * n, NRX_F64) || (y && !nrxi_all_finite(y, m * n, NRX_F64)))
    return nrxi_fail(&d.env, NRX_E_NUMERIC, "nrx_dyn_dmd: a snapshot is not finite");
  mem = (double *)nrxi_alloc(&d.env, 3 * M * N + M * k + k * N + k + k * N + 2 * k * k + 2 * N
      + nrxi_dyn_svd_work(M, N), sizeof(double));
  if (!mem) return nrxi_dyn_oom(&d.env, "nrx_dyn_dmd");
  X = mem; Y = X + M * N; U = Y + M * N; Vt = U + M * k; s = Vt + k * N; B = s + k; W = B + k * N;
  work = W + 2 * k * k + 2 * N;
  for (i = 0; i < M; i++) /* row i: x_i, x_{i+1}, ... */
    for (j = 0; j < q; j++) {
      memcpy(X + i * N + j * n, x + (i + j) * n, n * sizeof(double));
      memcpy(Y + i * N + j * n, y ? y + (i + j) * n : x + (i + j + 1) * n, n * sizeof(double));
    }
  {
    double *copy = work + nrxi_dyn_svd_work(M, N);
    memcpy(copy, X, M * N * sizeof(double));
    st = nrxi_dyn_svd(M, N, copy, s, U, Vt, work);
  }
  if (st != NRX_OK || !(s[0] > 0)) { st =
      nrxi_fail(&d.env, NRX_E_NUMERIC, "nrx_dyn_dmd: the snapshots are zero or not finite"); goto done; }
  for (r = 0; r < k && s[r] > 1e-13 * s[0]; r++) { }
  if (d.rank > 0 && (size_t)d.rank < r) r = (size_t)d.rank;
  if (d.rank == 0) { /* optimal hard threshold for unknown noise, Gavish & Donoho 2014; round-off alone is not
                        cut by it */
    double b = M < N ? (double)M / (double)N : (double)N / (double)M,
        tau = s[k / 2] * (0.56 * b * b * b - 0.95 * b * b + 1.82 * b + 1.43);
    for (i = 0; i < r && s[i] > tau; i++) { }
    if (i && s[k / 2] > 1e-10 * s[0] && k > 4) r = i;
  }
  st = nrxi_dyn_spectrum_new(out, n * q, r, &d.env);
  if (st != NRX_OK) goto done;
  for (i = 0; i < N; i++) /* B = Y^T U S^-1, [N][r] */
    for (j = 0; j < r; j++) B[i * r + j] = 0.0;
  for (l = 0; l < M; l++)
    for (i = 0; i < N; i++) {
      double v = Y[l * N + i];
      for (j = 0; j < r; j++) B[i * r + j] += v * U[l * k + j] / s[j];
    }
  for (i = 0; i < r; i++)
    for (j = 0; j < r; j++) {
      double v = 0;
      for (l = 0; l < N; l++) v += Vt[i * N + l] * B[l * r + j];
      out->A[i * r + j] = v;
    }
  for (j = 0; j < r; j++) /* residual factor: what of B lies outside the span of the modes; its norm stands in
            E's diagonal */
    for (i = 0; i < N; i++) {
      double v = B[i * r + j];
      for (l = 0; l < r; l++) v -= Vt[l * N + i] * out->A[l * r + j];
      out->E[j * r + j] = hypot(out->E[j * r + j], v);
    }
  st = nrxi_dyn_spectrum_solve(out, W);
  for (i = 0; i < N && st == NRX_OK; i++)
    for (j = 0; j < r; j++) {
      double a = 0, b = 0, u = out->eigenvalues[2 * j], v = out->eigenvalues[2 * j + 1], z = u * u + v * v;
      for (l = 0; l < r; l++) {
        double f = d.projected ? Vt[l * N + i] : B[i * r + l];
        a += f * W[2 * (l * r + j)];
        b += f * W[2 * (l * r + j) + 1];
      }
      if (!d.projected && z > 0) { double t = (a * u + b * v) / z; b = (b * u - a * v) / z; a = t; }
      out->modes[2 * (i * r + j)] = a;
      out->modes[2 * (i * r + j) + 1] = b;
    }
  if (st == NRX_OK) {
    double *first = W + 2 * k * k;
    for (i = 0; i < N; i++) { first[2 * i] = X[i]; first[2 * i + 1] = 0; }
    st = nrxi_dyn_complex_lstsq(N, r, out->modes, first, out->amplitudes, &d.env);
  }
done:
  nrxi_free(&d.env, mem);
  if (st != NRX_OK) nrx_dyn_spectrum_free(out);
  return st;
}

/* Residual of the exponentials alpha at the times t: b by least squares per state; res [n][m][2], returns its
 * square norm. */
static nrx_status nrxi_dyn_opt_residual(size_t m, size_t n, const double *t, const double *x, size_t r,
    const double *alpha, double *P, double *modes, double *res, double *sum, double *col, const nrx_env *env)
{
  size_t i, j, k;
  nrx_status st = NRX_OK;
  *sum = 0;
  for (i = 0; i < m; i++)
    for (j = 0; j < r; j++) {
      double e = exp(nrxi_dyn_min(alpha[2 * j] * (t[i] - t[0]), 300.0));
      P[2 * (i * r + j)] = e * cos(alpha[2 * j + 1] * (t[i] - t[0]));
      P[2 * (i * r + j) + 1] = e * sin(alpha[2 * j + 1] * (t[i] - t[0]));
    }
  for (k = 0; k < n && st == NRX_OK; k++) {
    for (i = 0; i < m; i++) { col[2 * i] = x[i * n + k]; col[2 * i + 1] = 0; }
    st = nrxi_dyn_complex_lstsq(m, r, P, col, modes + 2 * k * r, env);
    for (i = 0; i < m; i++) {
      double a = col[2 * i], b = 0;
      for (j = 0; j < r; j++) {
        const double *p = P + 2 * (i * r + j), *c = modes + 2 * (k * r + j);
        a -= p[0] * c[0] - p[1] * c[1];
        b -= p[0] * c[1] + p[1] * c[0];
      }
      res[2 * (k * m + i)] = a;
      res[2 * (k * m + i) + 1] = b;
      *sum += a * a + b * b;
    }
  }
  return st;
}

NRX_DEF nrx_status nrx_dyn_dmd_optimised(size_t m, size_t n, const double *t, const double *x, size_t r,
    double *alpha, double *modes, double *error, const nrx_env *env)
{
  size_t K = 2 * r, L = 2 * m * n, i, j, total;
  double *mem, *P, *res, *J, *col, *try_alpha, *step, *H, sum, next, norm = 0, lambda = 1.0;
  int it;
  nrx_status st;
  if (!t || !x || !alpha || !modes || m < 2 || n == 0 || r == 0 || r > m || !nrxi_mul_ok(L, K + 2, &total)
      || !nrxi_all_finite(x, m * n, NRX_F64))
    return nrxi_fail(env, NRX_E_ARG, "nrx_dyn_dmd_optimised: needs finite snapshots, times and 0 < r <= m");
  mem = (double *)nrxi_alloc(env, total + 2 * m * r + 2 * m + 3 * K + K * K + L, sizeof(double));
  if (!mem) return nrxi_dyn_oom(env, "nrx_dyn_dmd_optimised");
  P = mem; res = P + 2 * m * r; J = res + L; col = J + L * (K + 1); try_alpha = col + 2 * m;
  step = try_alpha + K; H = step + K;
  for (i = 0; i < m * n; i++) norm += x[i] * x[i];
  st = nrxi_dyn_opt_residual(m, n, t, x, r, alpha, P, modes, res, &sum, col, env);
  for (it = 0; it < 60 && st == NRX_OK; it++) {
    for (j = 0; j < K && st == NRX_OK; j++) { /* variable projection: the residual as a function of alpha
            alone */
      double h = 1e-7 * nrxi_dyn_max(1.0, fabs(alpha[j]));
      memcpy(try_alpha, alpha, K * sizeof(double));
      try_alpha[j] += h;
      st = nrxi_dyn_opt_residual(m, n, t, x, r, try_alpha, P, modes, J + j * L, &next, col, env);
      for (i = 0; i < L; i++) J[j * L + i] = (J[j * L + i] - res[i]) / h;
    }
    for (next = HUGE_VAL; st == NRX_OK && lambda < 1e14; lambda *= 4) { /* Levenberg-Marquardt */
      size_t k;
      for (j = 0; j < K; j++) {
        for (k = 0; k <= j; k++) { double v = 0; for (i = 0; i < L; i++) v += J[j * L + i] * J[k * L + i];
          H[j * K + k] = v; }
        H[j * K + j] *= 1 + lambda;
        H[j * K + j] += 1e-300;
        step[j] = 0;
        for (i = 0; i < L; i++) step[j] -= J[j * L + i] * res[i];
      }
      if (nrxi_dyn_cholesky(K, H) != NRX_OK || nrxi_dyn_cholesky_solve(K, H, step, 1) != NRX_OK) continue;
      for (j = 0; j < K; j++) try_alpha[j] = alpha[j] + step[j];
      st = nrxi_dyn_opt_residual(m, n, t, x, r, try_alpha, P, modes, J + K * L, &next, col, env);
      if (next < sum) break;
    }
    if (!(next < sum)) break;
    lambda = nrxi_dyn_max(lambda / 9, 1e-12);
    memcpy(alpha, try_alpha, K * sizeof(double));
    memcpy(res, J + K * L, L * sizeof(double));
    if (sum - next < 1e-14 * norm) { sum = next; break; }
    sum = next;
  }
  if (st == NRX_OK) st = nrxi_dyn_opt_residual(m, n, t, x, r, alpha, P, modes, res, &sum, col, env);
  if (error) *error = norm > 0 ? sqrt(sum / norm) : 0.0;
  nrxi_free(env, mem);
  return st == NRX_OK ? st : nrxi_fail(env, st,
      "nrx_dyn_dmd_optimised: the exponentials are not independent at these times");
}

NRX_DEF nrx_status nrx_dyn_havok(size_t n, const double *x, double dt, size_t delays, size_t r, double *A,
    double *B, double *s, const nrx_env *env)
{
  size_t q = delays, rows = n - q + 1, i, j, k;
  nrx_dyn_stream qr, ls;
  double *m, *U, *Vt, *v, *dv, *row, *work;
  nrx_status st;
  if (!x || !A || !B || !s || q < 2 || r < 2 || r > q || n < 2 * q + 8 || !(dt > 0)
      || !nrxi_all_finite(x, n, NRX_F64))
    return nrxi_fail(env, NRX_E_ARG,
        "nrx_dyn_havok: needs finite samples, more than twice the delays, and 2 <= r <= delays");
  st = nrx_dyn_stream_create(&qr, q, env);
  if (st != NRX_OK) return st;
  st = nrx_dyn_stream_create(&ls, 2 * r - 1, env);
  m = st == NRX_OK ? (double *)nrxi_alloc(env, 2 * q * q + q + 2 * rows * r + 2 * r + nrxi_dyn_svd_work(q, q)
      + nrxi_dyn_lstsq_work(2 * r, r, r), sizeof(double)) : NULL;
  if (!m) { st = NRX_E_NOMEM; goto done; }
  U = m; Vt = U + q * q; work = Vt + q * q + q;
  v = work + nrxi_dyn_svd_work(q, q) + nrxi_dyn_lstsq_work(2 * r, r, r); dv = v + rows * r;
  row = dv + rows * r;
  for (i = 0; i < rows && st == NRX_OK; i++) st = nrx_dyn_stream_push(&qr, 1, x + i);
  if (st == NRX_OK) st = nrx_dyn_stream_finish(&qr);
  if (st == NRX_OK) st = nrxi_dyn_svd(q, q, qr.R, Vt + q * q, U, Vt, work);
  for (i = 0; i < r && st == NRX_OK; i++) s[i] = Vt[q * q + i];
  for (i = 0; i < rows && st == NRX_OK; i++)
    for (j = 0; j < r; j++) {
      double a = 0;
      for (k = 0; k < q; k++) a += x[i + k] * Vt[j * q + k];
      v[i * r + j] = a / s[j];
    }
  if (st == NRX_OK) nrxi_dyn_fd(rows, r, NULL, dt, v, 4, dv);
  for (i = 2; i + 2 < rows && st == NRX_OK; i++) {
    memcpy(row, v + i * r, r * sizeof(double));
    memcpy(row + r, dv + i * r, (r - 1) * sizeof(double));
    st = nrx_dyn_stream_push(&ls, 1, row);
  }
  if (st == NRX_OK) st = nrx_dyn_stream_finish(&ls);
  for (j = 0; j + 1 < r && st == NRX_OK; j++) /* back substitution: R c = Q^T dv_j */
    for (k = r; k-- > 0;) {
      double a = ls.R[k * (2 * r - 1) + r + j];
      for (i = k + 1; i < r; i++) a -= ls.R[k * (2 * r - 1) + i] * (i + 1 < r ? A[j * (r - 1) + i] : B[j]);
      a /= ls.R[k * (2 * r - 1) + k];
      if (k + 1 < r) A[j * (r - 1) + k] = a;
      else B[j] = a;
    }
done:
  nrx_dyn_stream_free(&qr);
  nrx_dyn_stream_free(&ls);
  nrxi_free(env, m);
  return st == NRX_OK ? st : nrxi_fail(env, st, "nrx_dyn_havok: %s", nrx_status_string(st));
}

static double nrxi_dyn_kernel(const nrx_dyn_edmd_desc *d, size_t n, const double *x, const double *y)
{
  double s = 0;
  size_t i;
  if (d->kernel == NRX_DYN_POLYNOMIAL) {
    for (i = 0; i < n; i++) s += x[i] * y[i];
    return pow(1 + s / (d->width * d->width), d->power ? d->power : 3);
  }
  s = nrxi_dyn_dist2(n, x, y) / (d->width * d->width);
  return d->kernel == NRX_DYN_GAUSSIAN ? exp(-s) : exp(-sqrt(s));
}

/* Kernel EDMD, on the adjoint, which maps the kernel section at x to the one at y (same eigenvalues).
   Orthonormal coordinates of the kernel's features on the data, r of them: A and the residual factor follow
   from inner products (so residuals below about 1e-8 are round-off). C [n][r] maps kernel values at the
   samples to coordinates. */
static nrx_status nrxi_dyn_kernel_edmd(size_t n, size_t d, const double *x, const double *y,
    const nrx_dyn_edmd_desc *q, nrx_dyn_spectrum *out)
{
  const nrx_env *env = &q->env;
  size_t i, j, k, r, work = nrxi_dyn_eigh_work(n);
  double *m = n < 20000 ? (double *)nrxi_alloc(env, 4 * n * n + n + work, sizeof(double)) : NULL, *G, *A, *L,
      *T, *w, cutoff = q->cutoff > 0 ? q->cutoff : 1e-12;
  nrx_status st;
  if (!m) return NRX_E_NOMEM;
  G = m; A = G + n * n; L = A + n * n; T = L + n * n; w = T + n * n;
  for (i = 0; i < n; i++)
    for (j = 0; j < n; j++) {
      G[i * n + j] = nrxi_dyn_kernel(q, d, x + i * d, x + j * d);
      A[i * n + j] = nrxi_dyn_kernel(q, d, x + i * d, y + j * d);
      L[i * n + j] = nrxi_dyn_kernel(q, d, y + i * d, y + j * d);
    }
  st = nrxi_dyn_eigh(n, G, w, w + n);
  for (r = 0; st == NRX_OK && r < n && w[n - 1 - r] > cutoff * w[n - 1]; r++) { }
  if (st == NRX_OK) st = r ? nrxi_dyn_spectrum_new(out, n, r, env) : NRX_E_NUMERIC;
  if (st == NRX_OK) {
    double *S = T, *V;
    for (k = 0; k < 2; k++) { /* U^T M U / sqrt(w w), M = A then L */
      const double *M = k ? L : A;
      double *to = k ? out->E : out->A;
      for (i = 0; i < n; i++)
        for (j = 0; j < r; j++) {
          double v = 0;
          size_t l;
          for (l = 0; l < n; l++) v += M[i * n + l] * G[l * n + n - 1 - j];
          S[i * r + j] = v / sqrt(w[n - 1 - j]);
        }
      for (i = 0; i < r; i++)
        for (j = 0; j < r; j++) {
          double v = 0;
          size_t l;
          for (l = 0; l < n; l++) v += G[l * n + n - 1 - i] * S[l * r + j];
          to[i * r + j] = v / sqrt(w[n - 1 - i]);
        }
    }
    for (i = 0; i < r; i++) /* E^T E = L - A^T A, factored by its eigenvalues */
      for (j = 0; j < r; j++) {
        double v = out->E[i * r + j];
        for (k = 0; k < r; k++) v -= out->A[k * r + i] * out->A[k * r + j];
        L[i * r + j] = v;
      }
    st = nrxi_dyn_eigh(r, L, A, w + n);
    for (i = 0; i < r && st == NRX_OK; i++)
      for (j = 0; j < r; j++) out->E[i * r + j] = sqrt(nrxi_dyn_max(A[i], 0.0)) * L[j * r + i];
    V = L; /* L and T together hold 2 r r numbers */
    if (st == NRX_OK) st = nrxi_dyn_spectrum_solve(out, V);
    for (i = 0; i < n && st == NRX_OK; i++) /* eigenfunctions as combinations of kernels at the samples */
      for (j = 0; j < r; j++)
        for (k = 0; k < r; k++) {
          double u = G[i * n + n - 1 - k] / sqrt(w[n - 1 - k]);
          out->modes[2 * (i * r + j)] += u * V[2 * (k * r + j)];
          out->modes[2 * (i * r + j) + 1] += u * V[2 * (k * r + j) + 1];
        }
  }
  nrxi_free(env, m);
  return st;
}

NRX_DEF nrx_status nrx_dyn_edmd(size_t n, size_t d, const double *x, const double *y,
    const nrx_dyn_edmd_desc *desc, nrx_dyn_spectrum *out)
{
  nrx_dyn_edmd_desc q = NRX_ZERO;
  size_t p, r, i, j, k, total;
  double *mem = NULL, *PX, *PY, *Vt, *s, *C, *V, *work, cutoff;
  nrx_status st = NRX_OK;
  if (desc) q = *desc;
  cutoff = q.cutoff > 0 ? q.cutoff : 1e-12;
  if (!x || !y || !out || n < 2 || d == 0 || q.kernel < 0 || q.kernel > NRX_DYN_POLYNOMIAL)
    return nrxi_fail(&q.env, NRX_E_ARG, "nrx_dyn_edmd: needs at least two pairs");
  memset(out, 0, sizeof *out);
  if (!nrxi_all_finite(x, n * d, NRX_F64) || !nrxi_all_finite(y, n * d, NRX_F64))
    return nrxi_fail(&q.env, NRX_E_NUMERIC, "nrx_dyn_edmd: a sample is not finite");
  if (q.kernel) {
    double mean[256], w = 0;
    if (q.width <= 0 && d <= 256) {
      for (j = 0; j < d; j++) for (mean[j] = 0, i = 0; i < n; i++) mean[j] += x[i * d + j] / (double)n;
      if (q.kernel == NRX_DYN_POLYNOMIAL) memset(mean, 0, sizeof mean);
      for (i = 0; i < n; i++) w += sqrt(nrxi_dyn_dist2(d, x + i * d, mean)) / (double)n;
      q.width = w;
    }
    if (!(q.width > 0)) return nrxi_fail(&q.env, NRX_E_NUMERIC, "nrx_dyn_edmd: constant data");
    st = nrxi_dyn_kernel_edmd(n, d, x, y, &q, out);
    if (st != NRX_OK) { nrx_dyn_spectrum_free(out);
      return nrxi_fail(&q.env, st, "nrx_dyn_edmd: kernel matrix: %s", nrx_status_string(st)); }
    return NRX_OK;
  }
  if (q.p && q.p != d) return nrxi_fail(&q.env, NRX_E_ARG,
      "nrx_dyn_edmd: an own dictionary has d = p columns");
  p = q.p ? q.p : nrx_dyn_library_size(&q.library, d);
  if (p == (size_t)-1 || n < p || !nrxi_mul_ok(n, 4 * p, &total) || total > (size_t)-1 / 64)
    return nrxi_fail(&q.env, NRX_E_ARG, "nrx_dyn_edmd: %zu pairs are too few for %zu functions", n, p);
  mem = (double *)nrxi_alloc(&q.env, total + 5 * p * p + p + nrxi_dyn_svd_work(n, p) + 3 * p + p,
      sizeof(double));
  if (!mem) return nrxi_dyn_oom(&q.env, "nrx_dyn_edmd");
  PX = mem; PY = PX + n * p; C = PY + n * p; V = C + 2 * n * p; Vt = V + 4 * p * p; s = Vt + p * p;
  work = s + p;
  if (q.p) { memcpy(PX, x, n * p * sizeof(double)); memcpy(PY, y, n * p * sizeof(double)); }
  else {
    st = nrx_dyn_library_eval(&q.library, n, d, x, PX);
    if (st == NRX_OK) st = nrx_dyn_library_eval(&q.library, n, d, y, PY);
  }
  memcpy(C + n * p, PX, n * p * sizeof(double));
  /* PX becomes the orthonormal basis */
  if (st == NRX_OK) st = nrxi_dyn_svd(n, p, C + n * p, s, PX, Vt, work);
  if (st != NRX_OK) { st = nrxi_fail(&q.env, NRX_E_NUMERIC,
      "nrx_dyn_edmd: the dictionary is not finite on the data"); goto done; }
  for (r = 0; r < p && s[r] > cutoff * s[0]; r++) { }
  st = nrxi_dyn_spectrum_new(out, p, r, &q.env);
  if (st != NRX_OK) goto done;
  for (i = 0; i < n; i++) /* C = Psi_Y V S^-1 */
    for (j = 0; j < r; j++) {
      double v = 0;
      for (k = 0; k < p; k++) v += PY[i * p + k] * Vt[j * p + k];
      C[i * r + j] = v / s[j];
    }
  for (k = 0; k < n; k++) for (i = 0; i < r; i++) for (j = 0; j < r; j++)
    out->A[i * r + j] += PX[k * p + i] * C[k * r + j];
  if (q.measure_preserving) { /* the orthogonal polar factor */
    double *a = V, *u = V + p * p, *vt = u + p * p;
    memcpy(a, out->A, r * r * sizeof(double));
    st = nrxi_dyn_svd(r, r, a, vt + p * p, u, vt, work);
    for (i = 0; i < r && st == NRX_OK; i++)
      for (j = 0; j < r; j++) {
        double v = 0;
        for (k = 0; k < r; k++) v += u[i * r + k] * vt[k * r + j];
        out->A[i * r + j] = v;
      }
  }
  for (k = 0; k < n; k++) /* what leaves the span: E = R factor of C - Q A */
    for (j = 0; j < r; j++) {
      double v = 0;
      for (i = 0; i < r; i++) v += PX[k * p + i] * out->A[i * r + j];
      C[k * r + j] -= v;
    }
  if (st == NRX_OK) st = nrxi_dyn_qr(n, r, C, C + n * p, work);
  for (i = 0; i < r && st == NRX_OK; i++) for (j = i; j < r; j++) out->E[i * r + j] = C[i * r + j];
  if (st == NRX_OK) st = nrxi_dyn_spectrum_solve(out, V);
  for (i = 0; i < p && st == NRX_OK; i++)
    for (j = 0; j < r; j++)
      for (k = 0; k < r; k++) {
        double u = Vt[k * p + i] / s[k];
        out->modes[2 * (i * r + j)] += u * V[2 * (k * r + j)];
        out->modes[2 * (i * r + j) + 1] += u * V[2 * (k * r + j) + 1];
      }
done:
  nrxi_free(&q.env, mem);
  if (st != NRX_OK) nrx_dyn_spectrum_free(out);
  return st;
}

NRX_DEF nrx_status nrx_dyn_pseudospectrum(const nrx_dyn_spectrum *s, size_t nz, const double *z,
    double *residual)
{
  size_t r, i, j, t, R, work;
  double *m, *a, *sv;
  nrx_status st = NRX_OK;
  if (!s || !s->A || !z || !residual) return nrxi_fail(NULL, NRX_E_ARG,
      "nrx_dyn_pseudospectrum: needs a spectrum and points");
  r = s->r;
  R = 2 * r;
  work = nrxi_dyn_svd_work(2 * R, R);
  m = (double *)nrxi_alloc(&s->env, 2 * R * R + R + work, sizeof(double));
  if (!m) return nrxi_dyn_oom(&s->env, "nrx_dyn_pseudospectrum");
  a = m; sv = a + 2 * R * R;
  for (t = 0; t < nz && st == NRX_OK; t++) { /* smallest singular value of [E; A - z], complex as 2 x 2 real
            blocks */
    memset(a, 0, 2 * R * R * sizeof(double));
    for (i = 0; i < r; i++)
      for (j = 0; j < r; j++) {
        a[i * R + j] = a[(r + i) * R + r + j] = s->E[i * r + j];
        a[(R + i) * R + j] = a[(R + r + i) * R + r + j] = s->A[i * r + j] - (i == j ? z[2 * t] : 0.0);
        if (i == j) { a[(R + i) * R + r + j] = z[2 * t + 1]; a[(R + r + i) * R + j] = -z[2 * t + 1]; }
      }
    st = nrxi_dyn_svd(2 * R, R, a, sv, NULL, NULL, sv + R);
    residual[t] = sv[R - 1];
  }
  nrxi_free(&s->env, m);
  return st;
}

/* ======================================== learned surrogates ================ */

/* One step of rectified Adam (Liu et al. 2020); m and v are its moments, step counts from 1. */
static void nrxi_dyn_radam(size_t n, double *p, const double *g, double *m, double *v, double rate,
    size_t step)
{
  double b1 = 0.9, b2 = 0.999, t = (double)step, c1 = 1 - pow(b1, t), bt = pow(b2, t), rho = 2 / (1 - b2) - 1,
      r = rho - 2 * t * bt / (1 - bt), f = 0;
  size_t i;
  if (r > 5) f = sqrt((r - 4) * (r - 2) * rho / ((rho - 4) * (rho - 2) * r)) * sqrt(1 - bt);
  for (i = 0; i < n; i++) {
    m[i] = b1 * m[i] + (1 - b1) * g[i];
    v[i] = b2 * v[i] + (1 - b2) * g[i] * g[i];
    p[i] -= rate * m[i] / c1 * (f > 0 ? f / (sqrt(v[i]) + 1e-8) : 1.0);
  }
}

/* The network runs on lanes: one sequence of the batch in each component of a vector, so that every loop
 * below is straight and no lane sees another. Without vector extensions a lane is one double; the sums have
 * the same order. */
#if defined(NRXI_VEC) && __FLT_EVAL_METHOD__ == 0 /* with excess precision vector times scalar does not
            compile */
typedef nrxi_f64x8u nrxi_dyn_lane;
enum { NRXI_DYN_LANES = 8 };
#define NRXI_DYN_IF(c, z) ((nrxi_dyn_lane)((nrxi_i64x8u)(z) & (nrxi_i64x8u)((c) > 0.0))) /* c > 0 ? z : 0 */
#define NRXI_DYN_BODY __attribute__((always_inline)) static inline
#else
typedef double nrxi_dyn_lane;
enum { NRXI_DYN_LANES = 1 };
#define NRXI_DYN_IF(c, z) ((c) > 0.0 ? (z) : 0.0)
#define NRXI_DYN_BODY static
#endif

typedef struct nrxi_dyn_rnn_view { double *a, *W1, *W2, *h1, *h2, *L; } nrxi_dyn_rnn_view;
static nrxi_dyn_rnn_view nrxi_dyn_rnn_parts(const nrx_dyn_rnn *m, double *p)
{
  nrxi_dyn_rnn_view v;
  size_t M = m->M, H = m->H;
  v.a = p; v.W1 = p + M;
  if (m->kind == NRX_DYN_ALRNN) { v.W2 = NULL; v.h1 = v.W1 + M * M; v.h2 = NULL; v.L = v.h1 + M; }
  else { v.W2 = v.W1 + M * H; v.h1 = v.W2 + H * M; v.h2 = v.h1 + M; v.L = v.h2 + H; }
  return v;
}

/* z -> next, one state; u [H] keeps W2 z (or phi(z) for ALRNN in M entries). */
static void nrxi_dyn_rnn_step(const nrx_dyn_rnn *m, const nrxi_dyn_rnn_view *v, const double *z, double *u,
    double *next)
{
  size_t M = m->M, H = m->H, i, k;
  for (i = 0; i < M; i++) next[i] = v->a[i] * z[i] + v->h1[i];
  if (m->kind == NRX_DYN_ALRNN) {
    for (i = 0; i < M; i++) u[i] = i + H < M || z[i] > 0 ? z[i] : 0.0;
    for (i = 0; i < M; i++) next[i] += nrxi_dyn_dot(M, v->W1 + i * M, u);
    return;
  }
  for (k = 0; k < H; k++) {
    double s = 0, r;
    for (i = 0; i < M; i++) s += v->W2[k * M + i] * z[i];
    u[k] = s;
    r = s + v->h2[k] > 0 ? s + v->h2[k] : 0.0;
    if (m->kind == NRX_DYN_CLIPPED && s > 0) r -= s;
    if (r != 0.0) for (i = 0; i < M; i++) next[i] += v->W1[i * H + k] * r;
  }
}

/* The same step on lanes. u [U]: W2 z, or phi(z) for ALRNN. */
NRXI_DYN_BODY void nrxi_dyn_lanes_step(int kind, size_t M, size_t H, const nrxi_dyn_rnn_view *v,
    const nrxi_dyn_lane *z, nrxi_dyn_lane *u, nrxi_dyn_lane *next)
{
  size_t i, k;
  if (kind == NRX_DYN_ALRNN) {
    for (k = 0; k < M; k++) u[k] = k + H < M ? z[k] : NRXI_DYN_IF(z[k], z[k]);
    for (i = 0; i + 4 <= M; i += 4) { /* four rows share what is read of u */
      const double *w = v->W1 + i * M;
      nrxi_dyn_lane s0 = v->a[i] * z[i] + v->h1[i], s1 = v->a[i + 1] * z[i + 1] + v->h1[i + 1];
      nrxi_dyn_lane s2 = v->a[i + 2] * z[i + 2] + v->h1[i + 2], s3 = v->a[i + 3] * z[i + 3] + v->h1[i + 3];
      for (k = 0; k < M; k++) {
        nrxi_dyn_lane f = u[k];
        s0 += w[k] * f; s1 += w[M + k] * f; s2 += w[2 * M + k] * f; s3 += w[3 * M + k] * f;
      }
      next[i] = s0; next[i + 1] = s1; next[i + 2] = s2; next[i + 3] = s3;
    }
    for (; i < M; i++) {
      nrxi_dyn_lane s = v->a[i] * z[i] + v->h1[i];
      for (k = 0; k < M; k++) s += v->W1[i * M + k] * u[k];
      next[i] = s;
    }
    return;
  }
  for (i = 0; i < M; i++) next[i] = v->a[i] * z[i] + v->h1[i];
  for (k = 0; k < H; k++) {
    nrxi_dyn_lane s = v->W2[k * M] * z[0], r;
    for (i = 1; i < M; i++) s += v->W2[k * M + i] * z[i];
    u[k] = s;
    r = s + v->h2[k];
    r = NRXI_DYN_IF(r, r);
    if (kind == NRX_DYN_CLIPPED) r -= NRXI_DYN_IF(s, s);
    for (i = 0; i < M; i++) next[i] += v->W1[i * H + k] * r;
  }
}

/* Pull-back of g through one step: gz is written, the parameter gradients d (on lanes, laid out as the
 * parameters) grow. */
NRXI_DYN_BODY void nrxi_dyn_lanes_back(int kind, size_t M, size_t H, const nrxi_dyn_rnn_view *v,
    nrxi_dyn_lane *d, const nrxi_dyn_lane *z, const nrxi_dyn_lane *u, const nrxi_dyn_lane *g,
    nrxi_dyn_lane *gz)
{
  nrxi_dyn_lane *dW1 = d + M, *dW2 = dW1 + (kind == NRX_DYN_ALRNN ? M * M : M * H);
  nrxi_dyn_lane *dh1 = dW2 + (kind == NRX_DYN_ALRNN ? 0 : M * H), *dh2 = dh1 + M;
  size_t i, k;
  if (kind == NRX_DYN_ALRNN) {
    for (k = 0; k < M; k++) gz[k] = 0.0 * g[k];
    for (i = 0; i + 4 <= M; i += 4) {
      const double *w = v->W1 + i * M;
      nrxi_dyn_lane *e = dW1 + i * M, g0 = g[i], g1 = g[i + 1], g2 = g[i + 2], g3 = g[i + 3];
      for (k = 0; k < M; k++) {
        nrxi_dyn_lane f = u[k];
        gz[k] += w[k] * g0 + w[M + k] * g1 + w[2 * M + k] * g2 + w[3 * M + k] * g3;
        e[k] += g0 * f; e[M + k] += g1 * f; e[2 * M + k] += g2 * f; e[3 * M + k] += g3 * f;
      }
    }
    for (; i < M; i++) for (k = 0; k < M; k++) { gz[k] += v->W1[i * M + k] * g[i];
      dW1[i * M + k] += g[i] * u[k]; }
    for (k = M - H; k < M; k++) gz[k] = NRXI_DYN_IF(z[k], gz[k]);
    for (i = 0; i < M; i++) { gz[i] += v->a[i] * g[i]; d[i] += z[i] * g[i]; dh1[i] += g[i]; }
    return;
  }
  for (i = 0; i < M; i++) { gz[i] = v->a[i] * g[i]; d[i] += z[i] * g[i]; dh1[i] += g[i]; }
  for (k = 0; k < H; k++) {
    nrxi_dyn_lane s = u[k], r = s + v->h2[k], e = v->W1[k] * g[0], on, f;
    for (i = 1; i < M; i++) e += v->W1[i * H + k] * g[i];
    on = NRXI_DYN_IF(r, e);
    r = NRXI_DYN_IF(r, r);
    f = on;
    if (kind == NRX_DYN_CLIPPED) { r -= NRXI_DYN_IF(s, s); f -= NRXI_DYN_IF(s, e); }
    dh2[k] += on;
    for (i = 0; i < M; i++) { dW1[i * H + k] += r * g[i]; dW2[k * M + i] += f * z[i];
      gz[i] += f * v->W2[k * M + i]; }
  }
}

/* Work in doubles for one group of lanes. */
static size_t nrxi_dyn_rnn_work(const nrx_dyn_rnn *m, size_t T)
{
  return (T * (m->M + m->N + m->H + m->M) + 2 * m->M + m->np + 1) * NRXI_DYN_LANES;
}

/* Losses [LANES] and, unless grad is NULL, the gradient of their sum, of the sequences start[0 .. count-1] of
 * x. */
NRXI_DYN_BODY void nrxi_dyn_lanes_body(const nrx_dyn_rnn *m, size_t T, const double *x, const size_t *start,
    size_t count, double alpha, size_t tau, double *losses, double *grad, double *work)
{
  size_t M = m->M, N = m->N, U = m->kind == NRX_DYN_ALRNN ? M : m->H, t, i, j, l;
  nrxi_dyn_rnn_view v = nrxi_dyn_rnn_parts(m, m->params);
  nrxi_dyn_lane *z = (nrxi_dyn_lane *)work, *err = z + T * M, *u = err + T * N, *g = u + T * U, *gz = g + M,
      *d = gz + M;
  nrxi_dyn_lane *sum = d + m->np, *dL;
  double scale = 1.0 / (double)((T - 1) * N), *e = (double *)err;
  for (t = 0; t < T; t++) /* the data wait in err, a spare lane repeats the first sequence */
    for (l = 0; l < NRXI_DYN_LANES; l++)
      for (i = 0; i < N; i++) e[(t * N + i) * NRXI_DYN_LANES + l] = x[(start[l < count ? l : 0] + t) * N + i];
  for (i = 0; i < N; i++) z[i] = err[i];
  for (i = N; i < M; i++) { z[i] = v.L[(i - N) * N] * z[0];
    for (j = 1; j < N; j++) z[i] += v.L[(i - N) * N + j] * z[j]; }
  *sum = 0.0 * z[0];
  for (t = 1; t < T; t++) {
    nrxi_dyn_lane *now = z + t * M, *r = err + t * N;
    int hit = tau ? t % tau == 0 : 1;
    double a = tau ? 1.0 : alpha;
    nrxi_dyn_lanes_step(m->kind, M, m->H, &v, now - M, u + t * U, now);
    for (i = 0; i < N; i++) { /* r becomes the error, the forced state replaces the free one */
      r[i] = now[i] - r[i];
      *sum += r[i] * r[i];
      if (hit) now[i] -= a * r[i];
    }
  }
  for (l = 0; l < count; l++) losses[l] = scale * ((double *)sum)[l];
  if (!grad) return;
  memset((void *)d, 0, m->np * sizeof *d);
  for (i = 0; i < M; i++) gz[i] = 0.0 * z[i];
  for (t = T - 1; t > 0; t--) { /* gz: gradient with respect to the forced state of time t */
    double keep = tau ? (t % tau ? 1.0 : 0.0) : 1 - alpha;
    for (i = 0; i < M; i++) g[i] = gz[i];
    for (i = 0; i < N; i++) g[i] = keep * g[i] + 2 * scale * err[t * N + i];
    nrxi_dyn_lanes_back(m->kind, M, m->H, &v, d, z + (t - 1) * M, u + t * U, g, gz);
  }
  dL = d + (v.L - m->params);
  for (i = N; i < M; i++) for (j = 0; j < N; j++) dL[(i - N) * N + j] = gz[i] * z[j];
  for (i = 0; i < m->np; i++) {
    double s = 0;
    for (l = 0; l < count; l++) s += ((double *)(d + i))[l];
    grad[i] = s;
  }
}
#define NRXI_DYN_LANES_FN(name) \
  static void name(const nrx_dyn_rnn *m, size_t T, const double *x, const size_t *start, size_t count, \
      double alpha, size_t tau, double *losses, double *grad, double *work) \
  { nrxi_dyn_lanes_body(m, T, x, start, count, alpha, tau, losses, grad, work); }
NRXI_DYN_LANES_FN(nrxi_dyn_lanes_plain)
#if defined(NRXI_X86) && __FLT_EVAL_METHOD__ == 0
NRXI_AVX2 NRXI_DYN_LANES_FN(nrxi_dyn_lanes_avx2)
NRXI_AVX512 NRXI_DYN_LANES_FN(nrxi_dyn_lanes_avx512)
#define NRXI_DYN_LANES_RUN \
  (nrxi_cpu_avx512() ? nrxi_dyn_lanes_avx512 : nrxi_cpu_avx2() ? nrxi_dyn_lanes_avx2 : nrxi_dyn_lanes_plain)
#else
#define NRXI_DYN_LANES_RUN nrxi_dyn_lanes_plain
#endif

NRX_DEF void nrx_dyn_rnn_free(nrx_dyn_rnn *m)
{
  nrx_env env;
  if (!m) return;
  env = m->env;
  nrxi_free(&env, m->params);
  nrxi_free(&env, m);
}

NRX_DEF nrx_status nrx_dyn_rnn_loss(const nrx_dyn_rnn *m, size_t T, const double *x, double alpha, size_t tau,
    double *loss, double *grad)
{
  double *w;
  size_t start = 0;
  if (!m || !x || !loss || T < 2) return nrxi_fail(NULL, NRX_E_ARG,
      "nrx_dyn_rnn_loss: needs a model and a sequence of at least two");
  w = (double *)nrxi_alloc(&m->env, nrxi_dyn_rnn_work(m, T), sizeof(double));
  if (!w) return nrxi_dyn_oom(&m->env, "nrx_dyn_rnn_loss");
  NRXI_DYN_LANES_RUN(m, T, x, &start, 1, alpha, tau, loss, grad, w);
  nrxi_free(&m->env, w);
  return NRX_OK;
}

/* Norm of the Jacobian at z by a few power iterations on J^T J. */
static double nrxi_dyn_rnn_norm(const nrx_dyn_rnn *m, const nrxi_dyn_rnn_view *v, const double *z, double *w)
{
  size_t M = m->M, H = m->H, i, k;
  double *q = w, *r = q + M, *u = r + M, norm = 0;
  int it;
  for (i = 0; i < M; i++) q[i] = 1.0 / sqrt((double)M) * (1 + 0.1 * (double)(i % 3));
  nrxi_dyn_rnn_step(m, v, z, u, r);
  for (it = 0; it < 8; it++) {
    double s = 0;
    for (i = 0; i < M; i++) r[i] = v->a[i] * q[i];
    if (m->kind == NRX_DYN_ALRNN) {
      for (i = 0; i < M; i++) for (k = 0; k < M; k++) if (k + H < M || z[k] > 0)
        r[i] += v->W1[i * M + k] * q[k];
    } else for (k = 0; k < H; k++) {
      double f = (u[k] + v->h2[k] > 0) - (m->kind == NRX_DYN_CLIPPED && u[k] > 0), e = 0;
      if (f == 0.0) continue;
      for (i = 0; i < M; i++) e += v->W2[k * M + i] * q[i];
      for (i = 0; i < M; i++) r[i] += v->W1[i * H + k] * f * e;
    }
    for (i = 0; i < M; i++) q[i] = v->a[i] * r[i];
    if (m->kind == NRX_DYN_ALRNN) {
      for (k = 0; k < M; k++) if (k + H < M || z[k] > 0) for (i = 0; i < M; i++)
        q[k] += v->W1[i * M + k] * r[i];
    } else for (k = 0; k < H; k++) {
      double f = (u[k] + v->h2[k] > 0) - (m->kind == NRX_DYN_CLIPPED && u[k] > 0), e = 0;
      if (f == 0.0) continue;
      for (i = 0; i < M; i++) e += v->W1[i * H + k] * r[i];
      for (i = 0; i < M; i++) q[i] += v->W2[k * M + i] * f * e;
    }
    for (i = 0; i < M; i++) s += q[i] * q[i];
    norm = sqrt(sqrt(s));
    for (i = 0; i < M && s > 0; i++) q[i] /= sqrt(s);
  }
  return norm;
}

static nrx_status nrxi_dyn_divergence(const nrx_env *env, size_t n, const double *truth, size_t m,
    const double *generated, size_t d, double *kl)
{
  size_t i, j, cells = 1, k, seen = 0;
  double lo[8], hi[8], *h, a = 1e-5, sum = 0, total;
  if (!truth || !generated || !kl || n < 2 || m < 1 || d == 0)
    return nrxi_fail(env, NRX_E_ARG, "nrx_dyn_state_divergence: needs two sets of points");
  if (d > 5) { /* Gaussian mixtures of unit width on (standardised by the caller) points, 1000 draws from the
                  truth */
    nrx_rng rng;
    size_t N = n < 10000 ? n : 10000, M = m < 10000 ? m : 10000, s, used = 0;
    nrx_rng_seed(&rng, 1, 0);
    for (s = 0; s < 1000; s++) {
      double p = 0, q = 0, x[512];
      if (d > 512) return nrxi_fail(env, NRX_E_ARG, "nrx_dyn_state_divergence: d <= 512");
      i = (size_t)nrx_rng_below(&rng, N);
      for (j = 0; j < d; j++) x[j] = truth[i * d + j] + nrx_rng_normal(&rng);
      for (i = 0; i < N; i++) p += exp(-0.5 * nrxi_dyn_dist2(d, x, truth + i * d)) / (double)N;
      for (i = 0; i < M; i++) q += exp(-0.5 * nrxi_dyn_dist2(d, x, generated + i * d)) / (double)M;
      if (p > 0 && q > 0) { sum += log(p / q); used++; }
    }
    if (!used) return nrxi_fail(env, NRX_E_NUMERIC,
        "nrx_dyn_state_divergence: the generated points are nowhere near the truth");
    *kl = sum / (double)used;
    return NRX_OK;
  }
  for (j = 0; j < d; j++) {
    double mean = 0, v = 0;
    lo[j] = hi[j] = truth[j];
    for (i = 0; i < n; i++) { mean += truth[i * d + j] / (double)n;
      lo[j] = nrxi_dyn_min(lo[j], truth[i * d + j]); hi[j] = nrxi_dyn_max(hi[j], truth[i * d + j]); }
    for (i = 0; i < n; i++) v += (truth[i * d + j] - mean) * (truth[i * d + j] - mean) / (double)(n - 1);
    lo[j] -= 0.1 * sqrt(v);
    hi[j] += 0.1 * sqrt(v);
    cells *= 30;
    if (!(hi[j] > lo[j])) return nrxi_fail(env, NRX_E_NUMERIC,
        "nrx_dyn_state_divergence: the truth is constant in component %zu", j);
  }
  h = (double *)nrxi_calloc(env, 2 * cells, sizeof(double));
  if (!h) return nrxi_dyn_oom(env, "nrx_dyn_state_divergence");
  for (k = 0; k < 2; k++) {
    const double *x = k ? generated : truth;
    for (i = 0; i < (k ? m : n); i++) {
      size_t at = 0;
      for (j = 0; j < d; j++) {
        double u = (x[i * d + j] - lo[j]) / (hi[j] - lo[j]) * 30;
        if (!(u >= 0) || u > 30) break;
        at = at * 30 + (u < 30 ? (size_t)u : 29);
      }
      if (j == d) { h[k * cells + at] += 1; seen += k; }
    }
  }
  for (k = 0; k < 2; k++) {
    for (total = a * (double)cells, i = 0; i < cells; i++) total += h[k * cells + i];
    for (i = 0; i < cells; i++) h[k * cells + i] = (h[k * cells + i] + a) / total;
  }
  for (i = 0; i < cells; i++) sum += h[i] * log(h[i] / h[cells + i]);
  nrxi_free(env, h);
  *kl = sum;
  return seen ? NRX_OK : nrxi_fail(env, NRX_E_NUMERIC,
      "nrx_dyn_state_divergence: nothing generated lies in the range of the truth");
}

static void nrxi_dyn_no_log(void *user, nrx_status status, const char *line) { (void)user; (void)status;
  (void)line; }

typedef struct nrxi_dyn_rnn_batch {
  const nrx_dyn_rnn *m;
  const double *x;
  const size_t *start;
  size_t T, tau, batch, stride;
  double alpha, *grad, *loss, *work;
} nrxi_dyn_rnn_batch;
static void nrxi_dyn_rnn_job(void *arg, size_t group)
{
  nrxi_dyn_rnn_batch *w = (nrxi_dyn_rnn_batch *)arg;
  size_t first = group * NRXI_DYN_LANES, count = w->batch - first;
  if (count > NRXI_DYN_LANES) count = NRXI_DYN_LANES;
  NRXI_DYN_LANES_RUN(w->m, w->T, w->x, w->start + first, count, w->alpha, w->tau, w->loss + first,
                     w->grad + group * w->m->np, w->work + group * w->stride);
}

/* Starting values: a = diagonal of K / lambda_max(K) with K = R^T R / M + I, R normal; the rest small and
 * random. */
static void nrxi_dyn_rnn_init(nrx_dyn_rnn *m, double *R, nrx_rng *rng)
{
  size_t M = m->M, H = m->H, N = m->N, i, k;
  nrxi_dyn_rnn_view v = nrxi_dyn_rnn_parts(m, m->params);
  double *q = R + M * M, *r = q + M, top = 1;
  int it;
  for (i = 0; i < M * M; i++) R[i] = nrx_rng_normal(rng);
  for (i = 0; i < M; i++) q[i] = 1;
  for (it = 0; it < 60; it++) { /* power iteration */
    double s = 0;
    for (i = 0; i < M; i++) r[i] = nrxi_dyn_dot(M, R + i * M, q) / (double)M;
    for (i = 0; i < M; i++) nrxi_dyn_axpy(M, r[i], R + i * M, q);
    for (i = 0; i < M; i++) s += q[i] * q[i];
    top = sqrt(s);
    for (i = 0; i < M; i++) q[i] /= top;
  }
  for (i = 0; i < M; i++) {
    double s = 1;
    for (k = 0; k < M; k++) s += R[k * M + i] * R[k * M + i] / (double)M;
    v.a[i] = s / top;
  }
  if (m->kind == NRX_DYN_ALRNN) for (i = 0; i < M * M; i++) v.W1[i] = 0.01 * nrx_rng_normal(rng);
  else {
    for (i = 0; i < M * H; i++) v.W1[i] = (2 * nrx_rng_uniform(rng) - 1) / sqrt((double)H);
    for (i = 0; i < M * H; i++) v.W2[i] = (2 * nrx_rng_uniform(rng) - 1) / sqrt((double)M);
    for (i = 0; i < H; i++) v.h2[i] = (2 * nrx_rng_uniform(rng) - 1)
        * (m->kind == NRX_DYN_CLIPPED ? 1.5 : 0.5);
  }
  for (i = 0; i < (M - N) * N; i++) v.L[i] = (2 * nrx_rng_uniform(rng) - 1) / sqrt((double)N);
}

/* Adaptive forcing: 1 - 1 / s, s the largest over the batch of the geometric mean of |J| along the data. */
static double nrxi_dyn_rnn_forcing(const nrxi_dyn_rnn_batch *w)
{
  nrxi_dyn_rnn_view v = nrxi_dyn_rnn_parts(w->m, w->m->params);
  double worst = 0;
  size_t b, k, N = w->m->N;
  for (b = 0; b < w->batch && w->m->M == N; b++) {
    double s = 0;
    for (k = 0; k < w->T; k += 10)
      s += log(nrxi_dyn_rnn_norm(w->m, &v, w->x + (w->start[b] + k) * N, w->work)) * 10 / (double)w->T;
    worst = nrxi_dyn_max(worst, exp(s));
  }
  return worst > 1 ? 1 - 1 / worst : 0;
}

/* D_stsp of a free run against the validation series; 1e300 when the run leaves its range. */
static double nrxi_dyn_rnn_check(const nrx_dyn_rnn *m, size_t n, const double *x, double *run)
{
  double kl;
  nrx_dyn_rnn quiet = *m; /* a diverged run is an answer here, not a message */
  quiet.env.log = nrxi_dyn_no_log;
  if (nrx_dyn_rnn_run(&quiet, x, n, run, NULL) != NRX_OK) return 1e300;
  return nrxi_dyn_divergence(&quiet.env, n, x, n, run, m->N, &kl) == NRX_OK ? kl : 1e300;
}

NRX_DEF nrx_status nrx_dyn_plrnn(size_t n, size_t N, const double *x, const nrx_dyn_plrnn_desc *desc,
    nrx_dyn_rnn **out)
{
  nrx_dyn_plrnn_desc d = NRX_ZERO;
  nrx_dyn_rnn *m;
  nrxi_dyn_rnn_batch w;
  nrx_rng rng;
  double *mem = NULL, *lanes = NULL, *Z, *mom, *g, *best = NULL, alpha = 1.0, r0, r1;
  size_t M, H, i, j, b, step, groups, every, np, *start = NULL;
  nrx_status st = NRX_OK;
  if (desc) d = *desc;
  if (out) *out = NULL;
  if (d.sequence == 0) d.sequence = 200;
  if (d.batch == 0) d.batch = 16;
  if (d.batches == 0) d.batches = 5000;
  if (d.checks == 0) d.checks = 50;
  if (d.kind == NRX_DYN_ALRNN && d.tau == 0 && d.alpha == 0) d.tau = 16;
  M = d.latent ? d.latent : d.kind == NRX_DYN_ALRNN ? 20 : N;
  H = d.hidden ? d.hidden : d.kind == NRX_DYN_ALRNN ? 2 : 50;
  r0 = d.rate > 0 ? d.rate : 1e-3;
  r1 = d.rate_end > 0 ? d.rate_end : 1e-5;
  if (!out || !x || N == 0 || M < N || M > 5000 || H > 20000 || n < d.sequence + 2 || d.sequence < 2
      || d.kind < 0 || d.kind > NRX_DYN_ALRNN || (d.kind == NRX_DYN_ALRNN && H > M) || d.batch > 100000)
    return nrxi_fail(&d.env, NRX_E_ARG,
        "nrx_dyn_plrnn: needs more than %zu samples, latent >= %zu, hidden <= latent for ALRNN",
                     d.sequence, N);
  if (!nrxi_all_finite(x, n * N, NRX_F64))
    return nrxi_fail(&d.env, NRX_E_NUMERIC, "nrx_dyn_plrnn: a sample is not finite");
  if (d.n_validation && (!d.validation || d.n_validation < 100
      || !nrxi_all_finite(d.validation, d.n_validation * N, NRX_F64)))
    return nrxi_fail(&d.env, NRX_E_ARG,
        "nrx_dyn_plrnn: the validation series needs at least 100 finite states");
  m = (nrx_dyn_rnn *)nrxi_calloc(&d.env, 1, sizeof *m);
  if (!m) return nrxi_dyn_oom(&d.env, "nrx_dyn_plrnn");
  m->env = d.env; m->kind = d.kind; m->N = N; m->M = M; m->H = H; m->divergence = -1;
  m->np = np = (d.kind == NRX_DYN_ALRNN ? 2 * M + M * M : 2 * M + 2 * M * H + H) + (M - N) * N;
  groups = (d.batch + NRXI_DYN_LANES - 1) / NRXI_DYN_LANES;
  memset(&w, 0, sizeof w);
  w.stride = nrxi_dyn_rnn_work(m, d.sequence);
  i = w.stride < 4 * (M + H) ? 4 * (M + H) : 0; /* the norm of a Jacobian works there too */
  m->params = (double *)nrxi_calloc(&d.env, np + 2 * N, sizeof(double));
  mem = (double *)nrxi_calloc(&d.env, n * N + 4 * np + groups * np + d.batch + M * M + 2 * M + d.n_validation
      * N, sizeof(double));
  lanes = (double *)nrxi_alloc(&d.env, groups * w.stride + i, sizeof(double));
  start = (size_t *)nrxi_alloc(&d.env, d.batch, sizeof(size_t));
  if (!m->params || !mem || !lanes || !start) { st = nrxi_dyn_oom(&d.env, "nrx_dyn_plrnn"); goto done; }
  m->mean = m->params + np; m->sd = m->mean + N;
  Z = mem; mom = Z + n * N; g = mom + 2 * np; best = g + np; w.grad = best + np;
  w.loss = w.grad + groups * np;
  w.m = m; w.x = Z; w.start = start; w.T = d.sequence; w.tau = d.tau; w.batch = d.batch; w.work = lanes;
  nrx_rng_seed(&rng, d.seed, 0);
  for (j = 0; j < N; j++) {
    for (i = 0; i < n; i++) m->mean[j] += x[i * N + j] / (double)n;
    for (i = 0; i < n; i++) m->sd[j] += (x[i * N + j] - m->mean[j]) * (x[i * N + j] - m->mean[j]) / (double)n;
    m->sd[j] = sqrt(m->sd[j]);
    if (!(m->sd[j] > 0)) { st = nrxi_fail(&d.env, NRX_E_NUMERIC, "nrx_dyn_plrnn: observation %zu is constant",
        j); goto done; }
    for (i = 0; i < n; i++) Z[i * N + j] = (x[i * N + j] - m->mean[j]) / m->sd[j] + d.noise
        * nrx_rng_normal(&rng);
  }
  nrxi_dyn_rnn_init(m, w.loss + d.batch, &rng);
  every = d.batches / d.checks ? d.batches / d.checks : 1;
  for (step = 1; step <= d.batches; step++) {
    double loss = 0, f = d.batches > 1 ? (double)(step - 1) / (double)(d.batches - 1) : 0;
    for (b = 0; b < d.batch; b++) start[b] = (size_t)nrx_rng_below(&rng, n - d.sequence);
    if (d.alpha != 0) alpha = d.alpha;
    else if (!d.tau && step % 5 == 1) {
      double est = nrxi_dyn_rnn_forcing(&w);
      alpha = est > alpha ? est : 0.999 * alpha + 0.001 * est;
    }
    w.alpha = alpha;
    nrxi_parallel(&d.env, groups, nrxi_dyn_rnn_job, &w);
    memset(g, 0, np * sizeof(double));
    for (b = 0; b < d.batch; b++) loss += w.loss[b] / (double)d.batch;
    for (b = 0; b < groups; b++) nrxi_dyn_axpy(np, 1 / (double)d.batch, w.grad + b * np, g);
    if (d.decay > 0) for (i = 0; i < np; i++) g[i] += 2 * d.decay * (i < M ? m->params[i] - 1 : m->params[i]);
    if (nrxi_all_finite(g, np, NRX_F64))
      nrxi_dyn_radam(np, m->params, g, mom, mom + np, r0 * pow(r1 / r0, f), step);
    m->loss = step == 1 ? loss : 0.98 * m->loss + 0.02 * loss;
    if (!nrxi_finite_f64(&m->loss)) m->loss = loss;
    if (d.n_validation && (step % every == 0 || step == d.batches)) {
      double kl = nrxi_dyn_rnn_check(m, d.n_validation, d.validation, w.loss + d.batch + M * M + 2 * M);
      if (m->divergence < 0 || kl < m->divergence) { m->divergence = kl; m->step = step;
        memcpy(best, m->params, np * sizeof(double)); }
    }
    if (step % 50 == 0 && nrxi_progress(&d.env, step, d.batches, m->loss)) { st = NRX_E_CANCELLED; break; }
  }
  m->alpha = alpha;
  if (m->divergence >= 0) memcpy(m->params, best, np * sizeof(double));
  else m->step = step - 1;
  if (st == NRX_OK && !nrxi_all_finite(m->params, np, NRX_F64))
    st = nrxi_fail(&d.env, NRX_E_NUMERIC, "nrx_dyn_plrnn: training diverged; lower the rate or force more");
done:
  nrxi_free(&d.env, mem);
  nrxi_free(&d.env, lanes);
  nrxi_free(&d.env, start);
  if (st == NRX_OK || st == NRX_E_CANCELLED) *out = m;
  else nrx_dyn_rnn_free(m);
  return st;
}

NRX_DEF nrx_status nrx_dyn_rnn_run(const nrx_dyn_rnn *m, const double *x0, size_t count, double *out,
    uint64_t *symbols)
{
  size_t M, N, i, j, t;
  double *z, *next, *u, *swap, *mem;
  nrxi_dyn_rnn_view v;
  nrx_status st = NRX_OK;
  if (!m || !x0 || (count && !out)) return nrxi_fail(NULL, NRX_E_ARG,
      "nrx_dyn_rnn_run: needs a model, a start and room");
  M = m->M; N = m->N;
  mem = (double *)nrxi_alloc(&m->env, 3 * M + m->H, sizeof(double));
  if (!mem) return nrxi_dyn_oom(&m->env, "nrx_dyn_rnn_run");
  z = mem; next = z + M; u = next + M;
  v = nrxi_dyn_rnn_parts(m, m->params);
  for (i = 0; i < N; i++) z[i] = (x0[i] - m->mean[i]) / m->sd[i];
  for (i = N; i < M; i++) { z[i] = 0; for (j = 0; j < N; j++) z[i] += v.L[(i - N) * N + j] * z[j]; }
  for (t = 0; t < count; t++) {
    nrxi_dyn_rnn_step(m, &v, z, u, next);
    swap = z; z = next; next = swap;
    if (!nrxi_all_finite(z, M, NRX_F64)) {
      st = nrxi_fail(&m->env, NRX_E_NUMERIC, "nrx_dyn_rnn_run: the run diverged at step %zu", t); break; }
    for (i = 0; i < N; i++) out[t * N + i] = m->mean[i] + m->sd[i] * z[i];
    if (symbols) {
      symbols[t] = 0;
      for (i = 0; i < m->H && i < 64; i++) {
        int on = m->kind == NRX_DYN_ALRNN ? z[M - m->H + i] > 0 : u[i] + v.h2[i] > 0;
        symbols[t] |= (uint64_t)on << i;
      }
    }
  }
  nrxi_free(&m->env, mem);
  return st;
}

NRX_DEF nrx_status nrx_dyn_symbols(size_t n, const uint64_t *code, size_t max, uint64_t *symbol,
    size_t *count, double *transition, size_t *k, double *entropy)
{
  size_t i, j, last = 0;
  double *q, norm = 1, total = 0;
  int it;
  if (!code || !symbol || !count || !transition || !k || !entropy || n < 2 || max == 0 || max > 4096)
    return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_symbols: needs a code and room");
  *k = 0;
  memset(transition, 0, max * max * sizeof(double));
  memset(count, 0, max * sizeof(size_t));
  for (i = 0; i < n; i++) {
    for (j = 0; j < *k && symbol[j] != code[i]; j++) { }
    if (j == *k) {
      if (*k == max) return nrxi_fail(NULL, NRX_E_RANGE, "nrx_dyn_symbols: more than %zu symbols", max);
      symbol[(*k)++] = code[i];
    }
    count[j]++;
    if (i) transition[last * max + j] += 1;
    last = j;
  }
  q = (double *)nrxi_alloc(NULL, 2 * *k, sizeof(double));
  if (!q) return nrxi_dyn_oom(NULL, "nrx_dyn_symbols");
  for (i = 0; i < *k; i++) q[i] = 1;
  for (it = 0; it < 500; it++) { /* spectral radius of (0/1 matrix + 1), a shift that keeps cycles from
            oscillating */
    double s = 0;
    for (i = 0; i < *k; i++) {
      double a = q[i];
      for (j = 0; j < *k; j++) if (transition[i * max + j] > 0) a += q[j];
      q[*k + i] = a;
      s = nrxi_dyn_max(s, a);
    }
    for (i = 0; i < *k; i++) q[i] = q[*k + i] / s;
    norm = s;
  }
  *entropy = log(nrxi_dyn_max(norm - 1, 1e-300));
  if (*entropy < 0) *entropy = 0;
  for (i = 0; i < *k; i++) for (j = 0; j < *k; j++) total += transition[i * max + j];
  /* rows stay max apart */
  for (i = 0; i < *k; i++) for (j = 0; j < *k; j++) transition[i * max + j] /= total;
  nrxi_free(NULL, q);
  return NRX_OK;
}

/* -- reservoirs -- */

/* Features at time t of standardised data z (rows t, t-skip, ...): 1, taps, products. */
static void nrxi_dyn_next_features(const nrx_dyn_reservoir *r, const double *z, double *f)
{
  size_t N = r->N, k = r->d.taps, s = r->d.skip, L = N * k, i, j, at = 1 + L;
  f[0] = 1;
  for (i = 0; i < k; i++) for (j = 0; j < N; j++) f[1 + i * N + j] = *(z - i * s * N + j);
  for (i = 0; i < L; i++) for (j = i; j < L; j++) f[at++] = f[1 + i] * f[1 + j];
}

static void nrxi_dyn_echo_step(const nrx_dyn_reservoir *r, const double *z, double *state, double *w)
{
  size_t U = r->d.units, N = r->N, i, j;
  for (i = 0; i < U; i++) {
    double s = r->Win[i * (N + 1)];
    for (j = 0; j < N; j++) s += r->Win[i * (N + 1) + 1 + j] * z[j];
    w[i] = s + nrxi_dyn_dot(U, r->A + i * U, state);
  }
  for (i = 0; i < U; i++) state[i] = (1 - r->d.leak) * state[i] + r->d.leak * tanh(w[i]);
}
static void nrxi_dyn_echo_features(const nrx_dyn_reservoir *r, const double *state, double *f)
{
  size_t i;
  f[0] = 1;
  /* squares break the x, y -> -x, -y symmetry */
  for (i = 0; i < r->d.units; i++) f[1 + i] = i % 2 ? state[i] * state[i] : state[i];
}

NRX_DEF void nrx_dyn_reservoir_free(nrx_dyn_reservoir *r)
{
  nrx_env env;
  if (!r) return;
  env = r->d.env;
  nrxi_free(&env, r->mem);
  memset(r, 0, sizeof *r);
}

NRX_DEF nrx_status nrx_dyn_reservoir_train(size_t n, size_t N, const double *x,
    const nrx_dyn_reservoir_desc *desc, nrx_dyn_reservoir *out)
{
  nrx_dyn_reservoir_desc d = NRX_ZERO;
  size_t F, U, i, j, t, first;
  double *w = NULL, *Z, *f, *G, *state, *scratch, ridge, noise;
  nrx_rng rng;
  nrx_status st = NRX_OK;
  if (desc) d = *desc;
  if (d.taps == 0) d.taps = 2;
  if (d.skip == 0) d.skip = 1;
  if (d.units == 0) d.units = 300;
  if (d.radius == 0) d.radius = 0.9;
  if (d.input == 0) d.input = 0.1;
  if (d.leak == 0) d.leak = 1;
  if (d.washout == 0) d.washout = 100;
  ridge = d.ridge > 0 ? d.ridge : d.kind == NRX_DYN_NEXT ? 2.5e-6 : 1e-7;
  noise = d.noise < 0 ? 0 : d.noise > 0 ? d.noise : d.kind == NRX_DYN_NEXT ? 1e-3 : 0;
  first = d.kind == NRX_DYN_NEXT ? (d.taps - 1) * d.skip : d.washout;
  if (!x || !out || N == 0 || N * d.taps > 2000 || d.units > 20000 || n < first + 10 || d.kind < 0
      || d.kind > NRX_DYN_ECHO)
    return nrxi_fail(&d.env, NRX_E_ARG,
        "nrx_dyn_reservoir_train: %zu samples of %zu states are too few or too many for these features", n,
            N);
  if (!nrxi_all_finite(x, n * N, NRX_F64))
    return nrxi_fail(&d.env, NRX_E_NUMERIC, "nrx_dyn_reservoir_train: a sample is not finite");
  memset(out, 0, sizeof *out);
  U = d.kind == NRX_DYN_ECHO ? d.units : 0;
  F = U ? U + 1 : 1 + N * d.taps + N * d.taps * (N * d.taps + 1) / 2;
  out->d = d; out->N = N; out->features = F; out->need = first + 1;
  out->mem = (double *)nrxi_calloc(&d.env, N * F + U * U + U * (N + 1) + 2 * N, sizeof(double));
  w = (double *)nrxi_calloc(&d.env, n * N + F + F * F + F * N + 2 * U + 2, sizeof(double));
  if (!out->mem || !w) { st = nrxi_dyn_oom(&d.env, "nrx_dyn_reservoir_train"); goto done; }
  out->W = out->mem; out->A = out->W + N * F; out->Win = out->A + U * U; out->mean = out->Win + U * (N + 1);
  out->sd = out->mean + N;
  Z = w; f = Z + n * N; G = f + F; state = G + F * F + F * N; scratch = state + U;
  nrx_rng_seed(&rng, d.seed, 0);
  for (j = 0; j < N; j++) { /* the echo state network sees standardised data, the polynomial one only scaled
            by one factor */
    double m = 0, v = 0;
    for (i = 0; i < n; i++) m += x[i * N + j] / (double)n;
    for (i = 0; i < n; i++) v += (x[i * N + j] - m) * (x[i * N + j] - m) / (double)n;
    out->mean[j] = U ? m : 0;
    out->sd[j] = U ? sqrt(v) : 1;
    if (!(v > 0)) { st = nrxi_fail(&d.env, NRX_E_NUMERIC, "nrx_dyn_reservoir_train: state %zu is constant",
        j); goto done; }
    for (i = 0; i < n; i++) Z[i * N + j] = (x[i * N + j] - out->mean[j]) / out->sd[j];
    for (i = 0; i < n; i++) if (noise > 0 && !U) Z[i * N + j] += noise * sqrt(v) * nrx_rng_normal(&rng);
  }
  if (U) { /* sparse random matrix of degree 6 scaled to the radius by power iteration */
    double norm = 1;
    for (i = 0; i < U; i++) {
      for (j = 0; j < 6; j++) out->A[i * U + nrx_rng_below(&rng, U)] = 2 * nrx_rng_uniform(&rng) - 1;
      state[i] = nrx_rng_normal(&rng);
    }
    for (t = 0; t < 300; t++) {
      double s = 0;
      for (i = 0; i < U; i++) scratch[i] = nrxi_dyn_dot(U, out->A + i * U, state);
      for (i = 0; i < U; i++) s += scratch[i] * scratch[i];
      for (i = 0; i < U; i++) state[i] = scratch[i] / sqrt(s);
      norm = t < 100 ? 1.0 : t == 100 ? log(s) / 2 : norm + log(s) / 2;
    }
    norm = exp(norm / 200); /* mean growth: also right for a complex leading pair */
    for (i = 0; i < U * U; i++) out->A[i] *= d.radius / norm;
    for (i = 0; i < U * (N + 1); i++) out->Win[i] = d.input * (2 * nrx_rng_uniform(&rng) - 1);
    memset(state, 0, U * sizeof(double));
  }
  for (t = 0; t + 1 < n; t++) { /* normal equations: the ridge allows them */
    if (U) nrxi_dyn_echo_step(out, Z + t * N, state, scratch);
    if (t < first) continue;
    if (U) nrxi_dyn_echo_features(out, state, f);
    else nrxi_dyn_next_features(out, Z + t * N, f);
    for (i = 0; i < F; i++) {
      if (f[i] == 0.0) continue;
      nrxi_dyn_axpy(i + 1, f[i], f, G + i * F);
      for (j = 0; j < N; j++) {
        double target = U ? Z[(t + 1) * N + j] - Z[t * N + j] : x[(t + 1) * N + j] - x[t * N + j];
        G[F * F + i * N + j] += f[i] * target;
      }
    }
  }
  for (i = 0; i < F; i++) G[i * F + i] += ridge;
  st = nrxi_dyn_cholesky(F, G);
  if (st == NRX_OK) st = nrxi_dyn_cholesky_solve(F, G, G + F * F, N);
  if (st != NRX_OK) { st = nrxi_fail(&d.env, st,
      "nrx_dyn_reservoir_train: the features are dependent; raise the ridge"); goto done; }
  for (i = 0; i < F; i++) for (j = 0; j < N; j++) out->W[j * F + i] = G[F * F + i * N + j];
done:
  nrxi_free(&d.env, w);
  if (st != NRX_OK) nrx_dyn_reservoir_free(out);
  return st;
}

NRX_DEF nrx_status nrx_dyn_reservoir_run(const nrx_dyn_reservoir *r, size_t n, const double *x, size_t count,
    double *out)
{
  size_t N, U, t, i, j, span;
  double *w, *Z, *f, *state, *scratch;
  nrx_status st = NRX_OK;
  if (!r || !r->mem || !x || n < r->need || (count && !out))
    return nrxi_fail(NULL, NRX_E_ARG,
        "nrx_dyn_reservoir_run: needs a trained reservoir and at least %zu warm-up states", r ? r->need : 0);
  N = r->N;
  U = r->d.kind == NRX_DYN_ECHO ? r->d.units : 0;
  span = n + count;
  w = span <= (size_t)-1 / N / 16 ? (double *)nrxi_calloc(&r->d.env, span * N + r->features + 2 * U,
      sizeof(double)) : NULL;
  if (!w) return nrxi_dyn_oom(&r->d.env, "nrx_dyn_reservoir_run");
  Z = w; f = Z + span * N; state = f + r->features; scratch = state + U;
  for (i = 0; i < n; i++) for (j = 0; j < N; j++) Z[i * N + j] = (x[i * N + j] - r->mean[j]) / r->sd[j];
  for (t = 0; t + 1 < span; t++) {
    if (U) nrxi_dyn_echo_step(r, Z + t * N, state, scratch);
    if (t + 1 < n) continue;
    if (U) nrxi_dyn_echo_features(r, state, f);
    else nrxi_dyn_next_features(r, Z + t * N, f);
    for (j = 0; j < N; j++) Z[(t + 1) * N + j] = Z[t * N + j]
        + nrxi_dyn_dot(r->features, r->W + j * r->features, f);
    for (j = 0; j < N; j++) out[(t + 1 - n) * N + j] = r->mean[j] + r->sd[j] * Z[(t + 1) * N + j];
    if (!nrxi_all_finite(Z + (t + 1) * N, N, NRX_F64)) {
      st = nrxi_fail(&r->d.env, NRX_E_NUMERIC, "nrx_dyn_reservoir_run: the forecast diverged at step %zu",
          t + 1 - n); break; }
  }
  nrxi_free(&r->d.env, w);
  return st;
}

/* -- neural ODE -- */

static nrx_status nrxi_dyn_mlp_f(void *user, const double *p, double t, const double *y, double *out)
{
  const nrx_dyn_mlp *m = (const nrx_dyn_mlp *)user;
  size_t n = m->n, h = m->hidden, i, k;
  const double *W1 = p, *b1 = W1 + h * n, *W2 = b1 + h, *b2 = W2 + n * h;
  (void)t;
  memcpy(out, b2, n * sizeof(double));
  for (k = 0; k < h; k++) {
    double s = b1[k];
    for (i = 0; i < n; i++) s += W1[k * n + i] * y[i];
    s = tanh(s);
    for (i = 0; i < n; i++) out[i] += W2[i * h + k] * s;
  }
  return NRX_OK;
}
static nrx_status nrxi_dyn_mlp_vjp(void *user, const double *p, double t, const double *y, const double *a,
    double *ay, double *ap)
{
  const nrx_dyn_mlp *m = (const nrx_dyn_mlp *)user;
  size_t n = m->n, h = m->hidden, i, k;
  const double *W1 = p, *b1 = W1 + h * n, *W2 = b1 + h;
  double *g1 = ap, *gb = g1 + h * n, *g2 = gb + h, *gb2 = g2 + n * h;
  (void)t;
  for (i = 0; i < n; i++) gb2[i] += a[i];
  for (k = 0; k < h; k++) {
    double s = b1[k], e = 0;
    for (i = 0; i < n; i++) s += W1[k * n + i] * y[i];
    s = tanh(s);
    for (i = 0; i < n; i++) { e += W2[i * h + k] * a[i]; g2[i * h + k] += a[i] * s; }
    e *= 1 - s * s;
    gb[k] += e;
    for (i = 0; i < n; i++) { g1[k * n + i] += e * y[i]; ay[i] += e * W1[k * n + i]; }
  }
  return NRX_OK;
}
static nrx_status nrxi_dyn_mlp_plain(void *user, double t, const double *y, double *out)
{
  return nrxi_dyn_mlp_f(user, ((const nrx_dyn_mlp *)user)->params, t, y, out);
}

/* J = W2 diag(1 - tanh^2) W1 */
static nrx_status nrxi_dyn_mlp_jac(void *user, double t, const double *y, double *J)
{
  const nrx_dyn_mlp *m = (const nrx_dyn_mlp *)user;
  size_t n = m->n, h = m->hidden, i, j, k;
  const double *W1 = m->params, *b1 = W1 + h * n, *W2 = b1 + h;
  (void)t;
  memset(J, 0, n * n * sizeof(double));
  for (k = 0; k < h; k++) {
    double s = b1[k];
    for (i = 0; i < n; i++) s += W1[k * n + i] * y[i];
    s = tanh(s);
    for (i = 0; i < n; i++) for (j = 0; j < n; j++) J[i * n + j] += W2[i * h + k] * (1 - s * s) * W1[k * n + j];
  }
  return NRX_OK;
}

NRX_DEF nrx_status nrx_dyn_mlp_field(const nrx_dyn_mlp *m, nrx_vfield *out)
{
  if (!m || !out || !m->params || m->n == 0)
    return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_mlp_field: needs a network");
  memset(out, 0, sizeof *out);
  out->f = nrxi_dyn_mlp_plain;
  out->jac = nrxi_dyn_mlp_jac;
  memcpy(&out->user, &m, sizeof(void *));
  out->n = m->n;
  return NRX_OK;
}

typedef struct nrxi_dyn_window { const double *x; size_t n; double scale; } nrxi_dyn_window;
static nrx_status nrxi_dyn_window_loss(void *user, size_t i, const double *y, double *value, double *grad)
{
  const nrxi_dyn_window *w = (const nrxi_dyn_window *)user;
  size_t j;
  for (j = 0; j < w->n && i; j++) {
    double e = y[j] - w->x[i * w->n + j];
    *value += w->scale * e * e;
    grad[j] += 2 * w->scale * e;
  }
  return NRX_OK;
}

NRX_DEF nrx_status nrx_dyn_neural_ode(size_t n, size_t N, const double *x, double dt, size_t hidden,
    size_t window, size_t steps, double rate,
                   uint64_t seed, int fresh, double *params, double *loss, const nrx_env *env)
{
  size_t np = hidden * (2 * N + 1) + N, i, s, b;
  double *w, *g, *mom, *t, *gy;
  nrx_dyn_mlp net;
  nrx_dyn_parametric f;
  nrx_rng rng;
  nrx_status st = NRX_OK;
  if (!x || !params || N == 0 || hidden == 0 || window < 2 || n < window + 1 || !(dt > 0)
      || !nrxi_all_finite(x, n * N, NRX_F64))
    return nrxi_fail(env, NRX_E_ARG,
        "nrx_dyn_neural_ode: needs finite samples, more than a window of at least two, and dt > 0");
  w = (double *)nrxi_calloc(env, 4 * np + window + N, sizeof(double));
  if (!w) return nrxi_dyn_oom(env, "nrx_dyn_neural_ode");
  g = w; mom = g + 2 * np; t = mom + 2 * np; gy = t + window;
  nrx_rng_seed(&rng, seed, 0);
  for (i = 0; i < np && fresh; i++) params[i] = nrx_rng_normal(&rng)
      / sqrt((double)(i < hidden * N ? N : hidden)) * (i < hidden * N ? 1 : 0.3);
  for (i = 0; i < window; i++) t[i] = dt * (double)i;
  net.n = N; net.hidden = hidden; net.params = params;
  f.f = nrxi_dyn_mlp_f; f.vjp = nrxi_dyn_mlp_vjp; f.user = &net; f.n = N; f.np = np;
  for (s = 1; s <= steps && st == NRX_OK; s++) {
    double value = 0, total = 0;
    memset(g, 0, np * sizeof(double));
    for (b = 0; b < 8 && st == NRX_OK; b++) {
      nrxi_dyn_window q;
      q.x = x + nrx_rng_below(&rng, n - window + 1) * N;
      q.n = N;
      q.scale = 1.0 / (8.0 * (double)(window - 1) * (double)N);
      st = nrx_dyn_adjoint(&f, params, q.x, window, t, 1, nrxi_dyn_window_loss, &q, &value, gy, g + np, env);
      for (i = 0; i < np; i++) g[i] += g[np + i];
      total += value;
    }
    if (st != NRX_OK) break;
    nrxi_dyn_radam(np, params, g, mom, mom + np,
        (rate > 0 ? rate : 1e-2) * pow(0.01, (double)s / (double)steps), s);
    if (loss) *loss = total;
    if (s % 50 == 0 && nrxi_progress(env, s, steps, total)) st = NRX_E_CANCELLED;
  }
  nrxi_free(env, w);
  return st;
}

/* -- measures -- */

NRX_DEF nrx_status nrx_dyn_state_divergence(size_t n, const double *truth, size_t m, const double *generated,
    size_t d, double *kl)
{
  return nrxi_dyn_divergence(NULL, n, truth, m, generated, d, kl);
}

/* Normalised power spectrum of one standardised component after a Gaussian filter of `sigma` bins, reflected
 * at the ends; p [n/2+1], w as long. */
static nrx_status nrxi_dyn_smooth_spectrum(size_t n, const double *x, size_t d, double sigma, double *p,
    double *w, double *col)
{
  size_t i, m = n / 2 + 1;
  ptrdiff_t k, r = (ptrdiff_t)(4 * sigma + 0.5);
  double mean = 0, sd = 0, sum = 0;
  nrx_status st;
  for (i = 0; i < n; i++) mean += x[i * d] / (double)n;
  for (i = 0; i < n; i++) sd += (x[i * d] - mean) * (x[i * d] - mean) / (double)n;
  for (i = 0; i < n; i++) col[i] = sd > 0 ? (x[i * d] - mean) / sqrt(sd) : 0;
  st = nrx_dyn_power_spectrum(n, col, w, NULL);
  if (st != NRX_OK) return st;
  for (i = 0; i < m; i++) {
    double s = 0, norm = 0;
    for (k = -r; k <= r; k++) {
      ptrdiff_t at = (ptrdiff_t)i + k;
      double g = sigma > 0 ? exp(-0.5 * (double)(k * k) / (sigma * sigma)) : 1;
      while (at < 0 || at >= (ptrdiff_t)m) at = at < 0 ? -at - 1 : 2 * (ptrdiff_t)m - 1 - at;
      s += g * w[at];
      norm += g;
    }
    p[i] = s > 0 ? s / norm : 0;
    sum += p[i];
  }
  for (i = 0; i < m; i++) p[i] = sum > 0 ? p[i] / sum : 1.0 / (double)m;
  return NRX_OK;
}

NRX_DEF nrx_status nrx_dyn_spectral_distance(size_t n, const double *truth, const double *generated, size_t d,
    double smoothing, double *hellinger)
{
  size_t i, j, m = n / 2 + 1;
  double *w, sigma = smoothing > 0 ? smoothing : 20;
  nrx_status st = NRX_OK;
  if (!truth || !generated || !hellinger || n < 8 || d == 0)
    return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_spectral_distance: needs two series of equal length");
  w = (double *)nrxi_alloc(NULL, 3 * m + n, sizeof(double));
  if (!w) return nrxi_dyn_oom(NULL, "nrx_dyn_spectral_distance");
  *hellinger = 0;
  for (j = 0; j < d && st == NRX_OK; j++) {
    double s = 0;
    st = nrxi_dyn_smooth_spectrum(n, truth + j, d, sigma, w, w + 2 * m, w + 3 * m);
    if (st == NRX_OK) st = nrxi_dyn_smooth_spectrum(n, generated + j, d, sigma, w + m, w + 2 * m, w + 3 * m);
    for (i = 0; i < m; i++) s += 0.5 * (sqrt(w[i]) - sqrt(w[m + i])) * (sqrt(w[i]) - sqrt(w[m + i]));
    *hellinger += sqrt(s) / (double)d;
  }
  nrxi_free(NULL, w);
  return st;
}

NRX_DEF double nrx_dyn_valid_time(size_t n, size_t d, const double *truth, const double *forecast, double dt,
    double threshold, double unit)
{
  double rms = 0;
  size_t i;
  if (!truth || !forecast || n == 0) return 0;
  for (i = 0; i < n * d; i++) rms += truth[i] * truth[i] / (double)n;
  for (i = 0; i < n; i++) {
    double e = nrxi_dyn_dist2(d, truth + i * d, forecast + i * d);
    if (!(e <= threshold * threshold * rms)) break;
  }
  return (double)i * dt / unit;
}

NRX_DEF double nrx_dyn_smape(size_t count, const double *truth, const double *forecast)
{
  double s = 0;
  size_t i;
  for (i = 0; truth && forecast && i < count; i++) {
    double q = fabs(truth[i]) + fabs(forecast[i]);
    if (q > 0) s += 200.0 * fabs(truth[i] - forecast[i]) / q / (double)count;
  }
  return s;
}

/* The forecaster used when the caller gives none. */
static nrx_status nrxi_dyn_skill_next(void *user, double dt, size_t n, size_t d, const double *past,
    size_t count, double *out)
{
  nrx_dyn_reservoir r;
  nrx_dyn_reservoir_desc q = NRX_ZERO;
  nrx_status st;
  (void)dt;
  q.env = *(const nrx_env *)user;
  q.env.log = nrxi_dyn_no_log;
  st = nrx_dyn_reservoir_train(n, d, past, &q, &r);
  if (st != NRX_OK) return st;
  st = nrx_dyn_reservoir_run(&r, r.need, past + (n - r.need) * d, count, out);
  nrx_dyn_reservoir_free(&r);
  return st;
}

NRX_DEF nrx_status nrx_dyn_skill(const nrx_dyn_system *s, const nrx_dyn_skill_desc *desc,
    nrx_dyn_skill_row *out)
{
  nrx_dyn_skill_desc q = NRX_ZERO;
  nrx_dyn_solve_desc o = NRX_ZERO;
  double *x, *t, *f, *valid, *smape, dt, unit, span[2], *start;
  size_t d, rows, i, k;
  nrx_status st = NRX_OK;
  if (desc) q = *desc;
  if (q.starts == 0) q.starts = 15;
  if (q.train == 0) q.train = 1500;
  if (q.count == 0) q.count = 400;
  if (q.per_period == 0) q.per_period = 50;
  if (!(q.threshold > 0)) q.threshold = 0.4;
  if (!s || !out || !s->y0 || s->n == 0 || (s->kind != NRX_DYN_FLOW && s->kind != NRX_DYN_MAP)
      || q.starts > 100000 || q.train > 10000000 || q.count > 10000000)
    return nrxi_fail(&q.env, NRX_E_ARG, "nrx_dyn_skill: needs a flow or a map of the catalogue");
  d = s->n;
  rows = q.train + q.starts * q.count + 1;
  dt = s->kind == NRX_DYN_FLOW ? s->period / (double)q.per_period : 1;
  memset(out, 0, sizeof *out);
  x = (double *)nrxi_alloc(&q.env, rows * (d + 1) + q.count * d + 2 * q.starts + 2 * d, sizeof(double));
  if (!x) return nrxi_dyn_oom(&q.env, "nrx_dyn_skill");
  t = x + rows * d; f = t + rows; valid = f + q.count * d; smape = valid + q.starts; start = smape + q.starts;
  if (s->kind == NRX_DYN_FLOW) {
    o.method = NRX_DYN_DOP853; o.rtol = 1e-9; o.atol = 1e-10; o.env = q.env;
    span[0] = 0; span[1] = 100 * s->period; /* transient */
    st = nrx_dyn_solve(&s->field, s->y0, 2, span, start, &o, NULL);
    for (i = 0; i < rows; i++) t[i] = span[1] + dt * (double)i;
    if (st == NRX_OK) st = nrx_dyn_solve(&s->field, start + d, rows, t, x, &o, NULL);
  } else st = nrx_dyn_iterate(&s->field, s->y0, 1000, rows, x);
  for (k = 0; k < d && st == NRX_OK; k++) { /* standardise */
    double mean = 0, sd = 0;
    for (i = 0; i < rows; i++) mean += x[i * d + k] / (double)rows;
    for (i = 0; i < rows; i++) sd += (x[i * d + k] - mean) * (x[i * d + k] - mean) / (double)rows;
    for (i = 0; i < rows; i++) x[i * d + k] = sd > 0 ? (x[i * d + k] - mean) / sqrt(sd) : 0;
  }
  out->lyapunov = s->exponents && s->exponents[0] > 0;
  unit = out->lyapunov ? 1 / s->exponents[0] : s->period;
  out->horizon = (double)q.count * dt / unit;
  for (k = 0; k < q.starts && st == NRX_OK; k++) {
    const double *past = x + k * q.count * d, *truth = past + q.train * d;
    nrx_status one = q.forecast ? q.forecast(q.user, dt, q.train, d, past, q.count, f)
            : nrxi_dyn_skill_next(&q.env, dt, q.train, d, past, q.count, f);
    if (one == NRX_E_NOMEM) st = one;
    if (one != NRX_OK || !nrxi_all_finite(f, q.count * d, NRX_F64)) { valid[k] = 0; smape[k] = 200;
      out->failed++; continue; }
    valid[k] = nrx_dyn_valid_time(q.count, d, truth, f, dt, q.threshold, unit);
    smape[k] = nrx_dyn_smape(q.count * d, truth, f);
    if (nrxi_progress(&q.env, k + 1, q.starts, valid[k])) st = NRX_E_CANCELLED;
  }
  if (st == NRX_OK) {
    nrxi_dyn_sort(q.starts, valid);
    nrxi_dyn_sort(q.starts, smape);
    out->valid = 0.5 * (valid[(q.starts - 1) / 2] + valid[q.starts / 2]);
    out->smape = 0.5 * (smape[(q.starts - 1) / 2] + smape[q.starts / 2]);
  }
  nrxi_free(&q.env, x);
  return st;
}

/* ======================================== symbolic regression ================ */

static void nrxi_dyn_eml(const double *x, const double *y, double *out)
{
  double e = exp(x[0]), r = hypot(y[0], y[1]), a = e * cos(x[1]) - log(r),
      b = (x[1] == 0.0 ? 0.0 : e * sin(x[1])) - (y[1] == 0.0 && y[0] >= 0 ? 0.0 : atan2(y[1], y[0]));
  out[0] = a;
  out[1] = b;
}

NRX_DEF nrx_status nrx_dyn_eml_eval(const char *postfix, const double *vars, double value[2])
{
  double stack[256][2];
  size_t top = 0;
  if (!postfix || !value) return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_eml_eval: needs a tree and room");
  for (; *postfix; postfix++) {
    char c = *postfix;
    if (c == ' ') continue;
    if (c == 'E' ? top < 2 : top == 256 || !(c == '1' || (c >= 'a' && c <= 'z' && vars)))
      return nrxi_fail(NULL, NRX_E_FORMAT, "nrx_dyn_eml_eval: '%c' cannot stand here", c);
    if (c == 'E') { nrxi_dyn_eml(stack[top - 2], stack[top - 1], stack[top - 2]); top--; }
    else { stack[top][0] = c == '1' ? 1.0 : vars[c - 'a']; stack[top++][1] = 0; }
  }
  if (top != 1) return nrxi_fail(NULL, NRX_E_FORMAT,
      "nrx_dyn_eml_eval: %zu values are left, a tree leaves one", top);
  value[0] = stack[0][0];
  value[1] = stack[0][1];
  return NRX_OK;
}

/* All trees by number of leaves; values that repeat on the probe points are kept once. */
NRX_DEF nrx_status nrx_dyn_eml_search(size_t n, size_t d, const double *x, const double *y, size_t leaves,
    double tolerance, char *text, size_t size, double *error, const nrx_env *env)
{
  enum { CAP = 200000, LIMIT = 12 };
  size_t level[LIMIT + 2], made = 0, L, i, j, k, best = 0, q = n < 24 ? n : 24, stride;
  double *v, least = HUGE_VAL, scale = 0;
  uint32_t *left, *right;
  uint64_t *seen;
  nrx_status st = NRX_OK;
  if (!x || !y || !text || size == 0 || !error || n < 2 || d == 0 || d > 3 || leaves == 0
      || !nrxi_all_finite(x, n * d, NRX_F64) || !nrxi_all_finite(y, n, NRX_F64))
    return nrxi_fail(env, NRX_E_ARG, "nrx_dyn_eml_search: needs finite samples of at most three variables");
  if (leaves > LIMIT) leaves = LIMIT;
  stride = n / q;
  v = (double *)nrxi_alloc(env, (size_t)CAP * 2 * q, sizeof(double));
  left = (uint32_t *)nrxi_alloc(env, 2 * (size_t)CAP, sizeof(uint32_t));
  seen = (uint64_t *)nrxi_calloc(env, 1048576, sizeof(uint64_t));
  if (!v || !left || !seen) { st = nrxi_dyn_oom(env, "nrx_dyn_eml_search"); goto done; }
  right = left + CAP;
  for (i = 0; i < q; i++) scale += y[i * stride] * y[i * stride];
  for (L = 1; L <= leaves && least > tolerance && st == NRX_OK; L++) {
    size_t a, cut;
    level[L] = made;
    if (L == 1) cut = 0; else cut = L - 1;
    for (k = L == 1 ? 0 : 1; k <= cut && made < CAP && least > tolerance; k++) {
      size_t i0 = L == 1 ? 0 : level[k], i1 = L == 1 ? d + 1 : level[k + 1], j0 = L == 1 ? 0 : level[L - k],
          j1 = L == 1 ? 1 : level[L - k + 1];
      for (i = i0; i < i1 && made < CAP && least > tolerance; i++)
        for (j = j0; j < j1 && made < CAP; j++) {
          double *w = v + made * 2 * q, miss = 0;
          uint64_t hash = 1469598103934665603u;
          size_t slot;
          int ok = 1;
          for (a = 0; a < q && ok; a++) {
            if (L == 1) { w[2 * a] = i == 0 ? 1.0 : x[a * stride * d + i - 1]; w[2 * a + 1] = 0; }
            else nrxi_dyn_eml(v + i * 2 * q + 2 * a, v + j * 2 * q + 2 * a, w + 2 * a);
            ok = nrxi_finite_f64(w + 2 * a) && nrxi_finite_f64(w + 2 * a + 1) && fabs(w[2 * a]) < 1e12;
            miss += (w[2 * a] - y[a * stride]) * (w[2 * a] - y[a * stride]) + w[2 * a + 1] * w[2 * a + 1];
            hash = (hash ^ (uint64_t)(int64_t)(w[2 * a] * 1e6 + (w[2 * a] < 0 ? -0.5 : 0.5))
                ^ ((uint64_t)(int64_t)(w[2 * a + 1] * 1e6) << 20)) * 1099511628211u;
          }
          if (!ok) continue;
          hash |= 1;
          for (slot = (size_t)(hash >> 20) & 1048575u; seen[slot] && seen[slot] != hash;
            slot = (slot + 1) & 1048575u) { }
          if (seen[slot] == hash) continue;
          seen[slot] = hash;
          left[made] = (uint32_t)i;
          right[made] = L == 1 ? 0xffffffffu : (uint32_t)j;
          miss = scale > 0 ? sqrt(miss / scale) : sqrt(miss);
          if (miss < least) { least = miss; best = made; }
          made++;
        }
    }
    level[L + 1] = made;
    if (nrxi_progress(env, L, leaves, least)) st = NRX_E_CANCELLED;
  }
  if (made) { /* postfix text without recursion: leaves of L = 1 have right = all ones */
    uint32_t stack[64];
    nrxi_dyn_writer w;
    char out[64];
    size_t top = 0, at = 63;
    out[63] = 0;
    stack[top++] = (uint32_t)best;
    while (top) { /* pre-order right to left, written backwards, is postfix */
      uint32_t node = stack[--top];
      if (right[node] == 0xffffffffu) out[--at] = left[node] == 0 ? '1' : (char)('x' + (int)left[node] - 1);
      else { out[--at] = 'E'; stack[top++] = left[node]; stack[top++] = right[node]; }
    }
    w.text = text; w.size = size; w.length = 0;
    nrxi_dyn_write(&w, out + at);
    nrxi_dyn_write_end(&w);
    *error = least;
  } else st = nrxi_fail(env, NRX_E_NUMERIC, "nrx_dyn_eml_search: no tree has finite values here");
done:
  nrxi_free(env, v);
  nrxi_free(env, left);
  nrxi_free(env, seen);
  return st;
}

/* ======================================== model collapse ================ */

static double nrxi_dyn_variance(size_t n, const double *x, double *mean)
{
  double m = 0, v = 0;
  size_t i;
  for (i = 0; i < n; i++) m += x[i] / (double)n;
  for (i = 0; i < n; i++) v += (x[i] - m) * (x[i] - m) / (double)n;
  *mean = m;
  return v;
}

/* The models of the collapse simulator; truth is the first of each. Samples are [n][2] for the VAE, else
 * [n]. */
typedef struct nrxi_dyn_refit { double mean, var, w, mu[2], s[2], centre[2], load[2], noise; } nrxi_dyn_refit;

/* Twenty steps of EM for two components: every step keeps the samples' mean and variance. */
static void nrxi_dyn_refit_mixture(nrxi_dyn_refit *p, size_t n, const double *x)
{
  int it, c;
  size_t i;
  for (it = 0; it < 20; it++) {
    double n0[2] = {1e-9, 1e-9}, n1[2] = {0, 0}, n2[2] = {0, 0};
    for (i = 0; i < n; i++) {
      double d0 = (x[i] - p->mu[0]) / p->s[0], d1 = (x[i] - p->mu[1]) / p->s[1], q;
      double p0 = p->w / p->s[0] * exp(-0.5 * d0 * d0), p1 = (1 - p->w) / p->s[1] * exp(-0.5 * d1 * d1);
      q = p0 + p1 > 0 ? p0 / (p0 + p1) : fabs(d0) < fabs(d1);
      n0[0] += q; n0[1] += 1 - q; n1[0] += q * x[i]; n1[1] += (1 - q) * x[i];
      n2[0] += q * x[i] * x[i]; n2[1] += (1 - q) * x[i] * x[i];
    }
    for (c = 0; c < 2; c++) {
      p->mu[c] = n1[c] / n0[c];
      p->s[c] = sqrt(nrxi_dyn_max(n2[c] / n0[c] - p->mu[c] * p->mu[c], 1e-12));
    }
    p->w = n0[0] / (n0[0] + n0[1]);
  }
}

/* Linear VAE: decoder x = centre + load z + sqrt(noise) e, Gaussian encoder. Each sweep maximises the
 * evidence bound exactly, first over the encoder, then over the decoder; needs only the samples' covariance.
 * At the optimum the model has their trace. */
static void nrxi_dyn_refit_vae(nrxi_dyn_refit *p, size_t n, const double *x)
{
  double S[3] = {0, 0, 0}, trust = 0;
  size_t i;
  int it, c;
  for (c = 0; c < 2; c++) for (p->centre[c] = 0, i = 0; i < n; i++)
    p->centre[c] += x[2 * i + (size_t)c] / (double)n;
  for (i = 0; i < n; i++) {
    double u = x[2 * i] - p->centre[0], v = x[2 * i + 1] - p->centre[1];
    S[0] += u * u / (double)n; S[1] += u * v / (double)n; S[2] += v * v / (double)n;
  }
  for (it = 0; it < 20000 && !(fabs(trust - 1) < 1e-10); it++) { /* zz = 1 at the optimum */
    double k = p->load[0] * p->load[0] + p->load[1] * p->load[1] + p->noise, e0 = p->load[0] / k,
        e1 = p->load[1] / k;
    double b0 = S[0] * e0 + S[1] * e1, b1 = S[1] * e0 + S[2] * e1, zz = p->noise / k + e0 * b0 + e1 * b1;
    p->load[0] = b0 / zz; p->load[1] = b1 / zz;
    p->noise = nrxi_dyn_max(0.5 * (S[0] + S[2] - (b0 * b0 + b1 * b1) / zz), 1e-300);
    trust = zz;
  }
}

NRX_DEF nrx_status nrx_dyn_collapse(int kind, size_t samples, size_t generations, double keep, size_t runs,
    uint64_t seed, double *variance, double *mean, double *expected, const nrx_env *env)
{
  double *x, *z, n = (double)samples, kappa, truth = kind == NRX_DYN_COLLAPSE_MIXTURE ? 4.25 : 1, grow, V = 0,
      U = 0;
  size_t r, g, i, d = kind == NRX_DYN_COLLAPSE_VAE ? 2 : 1, old = (size_t)(keep * n);
  nrx_status st = NRX_OK;
  if (!variance || !mean || samples < 4 || runs == 0 || !(keep >= 0) || keep > 1 || kind < 0
      || kind > NRX_DYN_COLLAPSE_VAE || samples > (size_t)-1 / 64)
    return nrxi_fail(env, NRX_E_ARG,
        "nrx_dyn_collapse: needs at least 4 samples, runs, 0 <= keep <= 1 and room");
  x = (double *)nrxi_alloc(env, 2 * d * samples, sizeof(double));
  if (!x) return nrxi_dyn_oom(env, "nrx_dyn_collapse");
  z = x + d * samples;
  kappa = (double)old / n;
  /* variance of the fit over that of its samples */
  grow = kind == NRX_DYN_COLLAPSE_KDE ? 1 + 1.06 * 1.06 * pow(n, -0.4) : 1;
  for (g = 0; g <= generations; g++) { /* V = E variance, U = E mean^2: law of total variance, original and
            model samples mixed */
    double B = g ? kappa * truth + (1 - kappa) * grow * V : truth, k = g ? 1 - kappa : 0;
    V = (1 - 1 / n) * B + (k - k * k) * U;
    U = B / n + k * k * U;
    if (expected) expected[g] = V;
    variance[g] = mean[g] = 0;
  }
  for (r = 0; r < runs && st == NRX_OK; r++) {
    nrxi_dyn_refit p;
    nrx_rng rng;
    memset(&p, 0, sizeof p);
    p.var = 1; p.w = 0.5; p.mu[0] = -2; p.mu[1] = 2; p.s[0] = p.s[1] = p.load[0] = 0.5; p.noise = 0.5;
    nrx_rng_seed(&rng, seed, r);
    for (g = 0; g <= generations; g++) {
      double h = 1.06 * sqrt(p.var) * pow(n, -0.2), u;
      for (i = 0; i < samples; i++) { /* sample the current model; generation 0 and the kept share come from
            the truth */
        int first = g == 0 || i < old, c = nrx_rng_uniform(&rng) < (first ? 0.5 : p.w) ? 0 : 1;
        double e = nrx_rng_normal(&rng), f;
        if (kind == NRX_DYN_COLLAPSE_MIXTURE) z[i] = first ? (c ? 2 : -2) + 0.5 * e : p.mu[c] + p.s[c] * e;
        else if (kind == NRX_DYN_COLLAPSE_GAUSSIAN) z[i] = first ? e : p.mean + sqrt(p.var) * e;
        else if (kind == NRX_DYN_COLLAPSE_KDE) z[i] = first ? e : x[nrx_rng_below(&rng, samples)] + h * e;
        else {
          double latent = first ? 0 : nrx_rng_normal(&rng);
          f = nrx_rng_normal(&rng);
          z[2 * i] = first ? sqrt(1.5) * e : p.centre[0] + p.load[0] * latent + sqrt(p.noise) * e;
          z[2 * i + 1] = first ? sqrt(0.5) * f : p.centre[1] + p.load[1] * latent + sqrt(p.noise) * f;
        }
      }
      memcpy(x, z, d * samples * sizeof(double));
      if (d == 1) p.var = nrxi_dyn_variance(samples, x, &p.mean);
      if (kind == NRX_DYN_COLLAPSE_MIXTURE) nrxi_dyn_refit_mixture(&p, samples, x);
      if (kind == NRX_DYN_COLLAPSE_VAE) {
        nrxi_dyn_refit_vae(&p, samples, x);
        for (u = 0, i = 0; i < 2 * samples; i++)
          u += (x[i] - p.centre[i % 2]) * (x[i] - p.centre[i % 2]) / (2 * n);
        p.var = u;
        p.mean = p.centre[0];
      }
      variance[g] += p.var / (double)runs;
      mean[g] += p.mean / (double)runs;
    }
    if (nrxi_progress(env, r + 1, runs, p.var)) st = NRX_E_CANCELLED;
  }
  nrxi_free(env, x);
  return st;
}

NRX_DEF const char *nrx_dyn_version(void) { return NRX_DYNSYS_VERSION; }

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
