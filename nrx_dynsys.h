/* nrx_dynsys.h - v0.1.0 - dynamical systems: solve them, measure their chaos, discover them, and know whether they can be discovered
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
 *      nrx_dyn_find("Lorenz63", &lorenz);                                // equations, parameters, start, Jacobian
 *      for (i = 0; i < 5000; i++) t[i] = 0.002 * i;
 *      nrx_dyn_solve(&lorenz.field, lorenz.y0, 5000, t, x[0], NULL, NULL);
 *      printf("x, y, z at t = 1: %.6f %.6f %.6f\n", x[500][0], x[500][1], x[500][2]);
 *      return 0;
 *  }
 * <<< example
*/
#if defined(NRX_STATIC) && defined(NRX_LINKAGE_) && NRX_LINKAGE_ != 1
#error "NRX_STATIC must be defined before the first nrx include of this translation unit"
#endif
#ifndef NRX_DYNSYS_H
#define NRX_DYNSYS_H
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
#ifdef __cplusplus
extern "C" {
#endif

#define NRX_DYNSYS_VERSION "0.1.0"

/* Version of the implementation that was linked, "major.minor.patch". */
NRX_DEF const char *nrx_dyn_version(void);

/* ================================================================ 1. solving ================================ */

/* Methods. Explicit pairs advance with the higher order (local extrapolation); the error norm is the root mean
 * square of error / (atol + rtol max(|y|, |y_new|)), a step is accepted when it is below 1.
 *   DP5     Dormand & Prince 5(4), J. Comput. Appl. Math. 6 (1980) 19; dense output of order 4 (Hairer et al. I, II.6)
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
  double rtol, atol;     /* relative and absolute tolerance; 0 = 1e-8 and 1e-10; a negative value means zero */
  const double *atols;   /* one absolute tolerance per component [n], or NULL */
  int method;            /* NRX_DYN_DP5 ... */
  double step;           /* RK4: the fixed step (0 = a thousandth of the span); others: first step (0 = chosen) */
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

/* Solve y' = f(t, y), y(t[0]) = y0, and write y(t[i]) to y[i][0..n): t [nt], y [nt][n], row 0 is y0. The times must be
 * strictly monotonic, forward or backward. desc and info may be NULL. Cost: 6 (DP5, TSIT5), 12 (DOP853), 4 (RK4) evaluations
 * per step. Errors: NRX_E_ARG for bad arguments; NRX_E_NUMERIC when f returns non-finite values or the step
 * underflows (rows up to info->rows are good); whatever f returns, passed on. Thread safe when f is. */
NRX_DEF nrx_status nrx_dyn_solve(const nrx_vfield *f, const double *y0, size_t nt, const double *t, double *y,
                                 const nrx_dyn_solve_desc *desc, nrx_dyn_solve_info *info);

/* The same solver a step at a time, for loops of your own. `t_end` only gives the direction and bounds the last step;
 * nrx_dyn_solver_step advances by one accepted step, nrx_dyn_solver_at evaluates the dense output inside that step. */
typedef struct nrx_dyn_solver nrx_dyn_solver;
NRX_DEF nrx_status nrx_dyn_solver_create(const nrx_vfield *f, double t0, const double *y0, double t_end,
                                         const nrx_dyn_solve_desc *desc, nrx_dyn_solver **out);
NRX_DEF nrx_status nrx_dyn_solver_step(nrx_dyn_solver *s);
NRX_DEF double nrx_dyn_solver_time(const nrx_dyn_solver *s);
NRX_DEF const double *nrx_dyn_solver_state(const nrx_dyn_solver *s);
NRX_DEF nrx_status nrx_dyn_solver_at(nrx_dyn_solver *s, double t, double *y);
NRX_DEF void nrx_dyn_solver_free(nrx_dyn_solver *s);

/* Iterate a map y -> f(t, y) (t counts the iterations): `skip` iterations are discarded, then `count` states are written,
 * y [count][n], the first being the state after the skipped ones. NRX_E_NUMERIC when the orbit leaves the finite numbers. */
NRX_DEF nrx_status nrx_dyn_iterate(const nrx_vfield *map, const double *y0, size_t skip, size_t count, double *y);

/* Delay equations y'(t) = f(t, y(t), y(t - tau_1), ...), constant delays tau [n_delays] > 0, by DP5 with dense history.
 * Steps never exceed the smallest delay and land on the propagated discontinuities t0 + sum m_i tau_i (up to five of them).
 * lag is [n_delays][n]. history(user, t, y) gives y for t <= t0, NULL = constant y0. */
typedef struct nrx_dyn_delay {
  nrx_status (*f)(void *user, double t, const double *y, const double *lag, double *dydt);
  nrx_status (*history)(void *user, double t, double *y);
  void *user;
  size_t n, n_delays;
  const double *tau;
} nrx_dyn_delay;
NRX_DEF nrx_status nrx_dyn_solve_delay(const nrx_dyn_delay *f, const double *y0, size_t nt, const double *t, double *y,
                                       const nrx_dyn_solve_desc *desc, nrx_dyn_solve_info *info);

/* Stochastic equations dy = f dt + g dW (Ito) with diagonal noise: g(user, t, y, out[n]); dg gives d g_i / d y_i and may be
 * NULL (a difference of g then replaces it). Euler-Maruyama (strong order 1/2) or Milstein (strong order 1).
 * `substeps` steps are taken between neighbouring output times; the same seed gives the same path. */
enum { NRX_DYN_EULER_MARUYAMA = 0, NRX_DYN_MILSTEIN = 1 };
typedef struct nrx_dyn_noise {
  nrx_status (*g)(void *user, double t, const double *y, double *g);
  nrx_status (*dg)(void *user, double t, const double *y, double *dg);
  void *user;
} nrx_dyn_noise;
NRX_DEF nrx_status nrx_dyn_solve_sde(const nrx_vfield *f, const nrx_dyn_noise *noise, int method, uint64_t seed,
                                     const double *y0, size_t nt, const double *t, size_t substeps, double *y);

/* Exponential time differencing, fourth-order Runge-Kutta (Cox & Matthews 2002; coefficients by contour means, Kassam &
 * Trefethen, SIAM J. Sci. Comput. 26 (2005) 1214) for v' = L v + N(t, v) with diagonal real L [n] and complex v [n][2].
 * Writes the state after every `every` steps, out [count][n][2]; v is advanced in place. */
NRX_DEF nrx_status nrx_dyn_etdrk4(size_t n, const double *L,
                                  nrx_status (*nonlinear)(void *user, double t, const double *v, double *nv), void *user,
                                  double t0, double h, size_t count, size_t every, double *v, double *out);

/* Kuramoto-Sivashinsky u_t = -u u_x - u_xx - u_xxxx, period `length`, n grid points (even), ETDRK4 with two-thirds
 * dealiasing. u0 [n]; out [count][n] real fields, one every `every` steps of h. */
NRX_DEF nrx_status nrx_dyn_kuramoto_sivashinsky(size_t n, double length, const double *u0, double h, size_t count,
                                                size_t every, double *out, const nrx_env *env);

/* Variational equations: a field of size n + n k whose state is (y, Q) with Q [n][k] tangent columns, Q' = J(t, y) Q.
 * Without f->jac the product is a central difference along each column. `buf` needs n n + 4 n doubles and lives with it. */
typedef struct nrx_dyn_tangent {
  nrx_vfield f;
  size_t k;
  double *buf;
} nrx_dyn_tangent;
NRX_DEF nrx_status nrx_dyn_tangent_field(nrx_dyn_tangent *t, nrx_vfield *out);

/* Gradients through a solution (discretise, then differentiate: exact for the RK4 scheme, whatever the step). The loss is
 * sum_i loss(i, y(t_i)); `loss` adds to *value and writes its gradient. vjp adds a^T df/dy to ay [n] and a^T df/dp to ap [np].
 * grad_y0 [n] and grad_p [np] are written. `substeps` RK4 steps lie between neighbouring times; memory
 * nt * substeps * n doubles. */
typedef struct nrx_dyn_parametric {
  nrx_status (*f)(void *user, const double *p, double t, const double *y, double *dydt);
  nrx_status (*vjp)(void *user, const double *p, double t, const double *y, const double *a, double *ay, double *ap);
  void *user;
  size_t n, np;
} nrx_dyn_parametric;
NRX_DEF nrx_status nrx_dyn_adjoint(const nrx_dyn_parametric *f, const double *p, const double *y0, size_t nt,
                                   const double *t, size_t substeps,
                                   nrx_status (*loss)(void *user, size_t i, const double *y, double *value, double *grad),
                                   void *loss_user, double *value, double *grad_y0, double *grad_p, const nrx_env *env);

/* ================================================================ 2. the catalogue ============================ */

enum { NRX_DYN_FLOW = 0, NRX_DYN_MAP = 1, NRX_DYN_DELAYED = 2 };

/* One entry. field.user points to the default parameters (read only); to change them copy `params` into an array of your
 * own, edit it and set field.user to it. Parameters stand in the order of param_names. For driven systems the last state
 * is the phase. The delay entry has f only through nrx_dyn_mackey_glass. */
typedef struct nrx_dyn_system {
  const char *name, *equations, *param_names;
  int kind;                 /* NRX_DYN_FLOW, NRX_DYN_MAP */
  size_t n, n_params;
  const double *params, *y0;
  double period;            /* dominant time scale; 1 for maps */
  const double *exponents;  /* [n] reference spectrum in nats per unit time, NULL = none known */
  nrx_vfield field;         /* with analytic Jacobian */
} nrx_dyn_system;

/* Find by name; case, blanks, '-' and '_' do not matter. NRX_E_ARG when there is none (the log names near misses). */
NRX_DEF nrx_status nrx_dyn_find(const char *name, nrx_dyn_system *out);
NRX_DEF size_t nrx_dyn_count(void);
NRX_DEF nrx_status nrx_dyn_get(size_t index, nrx_dyn_system *out);

/* Lorenz-96 with any n >= 4: x_i' = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + F. params [2] = {F, n} must live with the field. */
NRX_DEF nrx_status nrx_dyn_lorenz96(double *params, size_t n, double forcing, nrx_vfield *out);

/* Mackey-Glass y' = beta y(t-tau) / (1 + y(t-tau)^p) - gamma y, params [4] = {beta, gamma, p, tau}. */
NRX_DEF nrx_status nrx_dyn_mackey_glass(const double *params, nrx_dyn_delay *out);

/* Largest relative difference between the analytic Jacobian and central differences at y; for your own fields too. */
NRX_DEF nrx_status nrx_dyn_check_jacobian(const nrx_vfield *f, double t, const double *y, double *error);

#ifdef __cplusplus
}
#endif
#endif /* NRX_DYNSYS_H */

#if (defined(NRX_DYNSYS_IMPLEMENTATION) || defined(NRX_IMPLEMENTATION) || defined(NRX_STATIC)) && !defined(NRX_DYNSYS_IMPL_DONE_)
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
/* >>> nrx fft (implementation) */
#ifndef NRXI_FFT_VERSION
#define NRXI_FFT_VERSION 3296914047
/* Discrete Fourier transforms of any length, f32 and f64, complex (interleaved) and real. X_k = sum_j x_j exp(-2 pi i j k / n); the inverse
   has the other sign and is not normalised. A plan is made once (it allocates) and may then be used by any number of threads at a time;
   running does not allocate: `work` holds the number of elements the query gives, 64-byte aligned for speed. in may equal out everywhere.

     nrxi_fft_plan_f64(p, n, env), nrxi_fft_drop_f64(p)       complex and real transforms of length n >= 1; drop also clears p
     nrxi_fft_work_f64(p), nrxi_fft_run_f64(p, inverse, in, out, work)   n complex numbers
     nrxi_rfft_run_f64(p, in, out, work)                      n reals -> n/2 + 1 complex numbers
     nrxi_irfft_run_f64(p, in, out, work)                     n/2 + 1 complex numbers (imaginary parts that must vanish are ignored) -> n reals
     nrxi_fft_columns_work_f64(p, count), nrxi_fft_columns_f64(p, inverse, count, in, in_stride, out, out_stride, work)
                                                              `count` transforms side by side: sample j of column c is complex number
                                                              j*stride + c

   Method: Stockham autosort (Van Loan, Computational Frameworks for the FFT, 1.7) on split real and imaginary parts with radices 8, 4, 2,
   3, 5 and odd primes to 61, vectorised over the columns; one long transform of length 8 m runs as 8 columns of length m and a last
   transposing radix-8 step; lengths with a larger prime factor by Bluestein's chirp transform. Error: a few eps log2(n), in the 2-norm.
   Twiddles come from exact octant reduction and a fixed polynomial, so that NRX_REPRODUCIBLE gives the same bits everywhere. */

enum { NRXI_FFT_PASSES = 64, NRXI_FFT_PRIME = 61, NRXI_FFT_VF64 = 4, NRXI_FFT_VF32 = 8 };

/* cos and sin of 2 pi k / n, 0 <= k < n: the octant is taken off exactly, Taylor polynomials do the rest. Error below 1.5 eps. */
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
    co = z * (1.0 / 12.0) * (1.0 - z * (1.0 / 30.0) * (1.0 - z * (1.0 / 56.0) * (1.0 - z * (1.0 / 90.0) * (1.0 - z * (1.0 / 132.0)
       * (1.0 - z * (1.0 / 182.0) * (1.0 - z * (1.0 / 240.0)))))));
    co = 1.0 - 0.5 * z * (1.0 - co);
    si = z * (1.0 / 6.0) * (1.0 - z * (1.0 / 20.0) * (1.0 - z * (1.0 / 42.0) * (1.0 - z * (1.0 / 72.0) * (1.0 - z * (1.0 / 110.0)
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

/* One Stockham pass of radix r over x = r sub-arrays of m rows of s columns:
     y[q + s (r p + k)] = w^(p k) sum_j x[q + s (p + m j)] exp(-2 pi i j k / r),   w = exp(-2 pi i / (r m)), p < m, q < s.
   The bodies below are shared by the scalar type and the vector types: R element, T vector, TU its unaligned twin, V elements in T.
   The last vector of a row overlaps its predecessor when V does not divide s (never in place, so writing twice is harmless). */
#define NRXI_FFT_LD(TU, p) (*(const TU *)(const void *)(p))
#define NRXI_FFT_ST(TU, p, v) (*(TU *)(void *)(p) = (v))
#define NRXI_FFT_STEP(q, s, V) ((s) - (q) >= 2 * (size_t)(V) || (s) - (q) == (size_t)(V) ? (size_t)(V) : (s) - (q) - (size_t)(V))
#define NRXI_FFT_STW(TU, o, k, zr, zi) /* times twiddle k of row p, to output o */               \
    NRXI_FFT_ST(TU, yr + (o), (zr) * wr[(k) * m + p] - (zi) * wi[(k) * m + p]),                    \
    NRXI_FFT_ST(TU, yi + (o), (zr) * wi[(k) * m + p] + (zi) * wr[(k) * m + p])
#define NRXI_FFT_ROWS(V, r) for (p = 0; p < m; p++) for (q = 0, i = s * p, o = s * (r) * p; q < s; t = NRXI_FFT_STEP(q, s, V), q += t, i += t, o += t)

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
        T pr = br + cr, pi = bi + ci, dr = (br - cr) * (R)0.86602540378443864676, di = (bi - ci) * (R)0.86602540378443864676; \
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
        T er = ar + cr, ei = ai + ci, fr = ar - cr, fi = ai - ci, gr = br + dr, gi = bi + di, hr = br - dr, hi = bi - di; \
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
        T pr = br + er, pi = bi + ei, ur = br - er, ui = bi - ei, gr = cr + dr, gi = ci + di, vr = cr - dr, vi = ci - di; \
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
            T br = NRXI_FFT_LD(TU, xr + i + (j + 1) * sm), bi = NRXI_FFT_LD(TU, xi + i + (j + 1) * sm);              \
            T cr = NRXI_FFT_LD(TU, xr + i + (r - 1 - j) * sm), ci = NRXI_FFT_LD(TU, xi + i + (r - 1 - j) * sm);      \
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

/* The last step of 8 m = n as 8 columns: y[p + m k] = sum_j w^(p j) x[8 p + j] exp(-2 pi i j k / 8). LOAD(u, x): u[j] = x[j], x[8 + j], ... */
#define NRXI_FFT_LAST(R, T, TU, V, LOAD)                                                           \
    const R *wr = w, *wi = w + 7 * m;                                                              \
    size_t p, t;                                                                                   \
    for (p = 0; p < m; t = NRXI_FFT_STEP(p, m, V), p += t) {                                       \
        T ur[8], ui[8];                                                                            \
        int k;                                                                                     \
        LOAD(ur, xr + 8 * p);                                                                      \
        LOAD(ui, xi + 8 * p);                                                                      \
        for (k = 1; k < 8; k++) {                                                                  \
            T cr = NRXI_FFT_LD(TU, wr + (size_t)(k - 1) * m + p), ci = NRXI_FFT_LD(TU, wi + (size_t)(k - 1) * m + p), zr = ur[k]; \
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

/* Vector times scalar needs arithmetic without excess precision (gcc -m32 without SSE arithmetic promotes the scalar to long double). */
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
            nrxi_f64x4 r0_ = NRXI_FFT_LD(nrxi_f64x4u, (x) + 4 * b_), r1_ = NRXI_FFT_LD(nrxi_f64x4u, (x) + 8 + 4 * b_);        \
            nrxi_f64x4 r2_ = NRXI_FFT_LD(nrxi_f64x4u, (x) + 16 + 4 * b_), r3_ = NRXI_FFT_LD(nrxi_f64x4u, (x) + 24 + 4 * b_);  \
            nrxi_f64x4 t0_ = NRXI_FFT_MIX4(r0_, r1_, 0, 4, 2, 6), t1_ = NRXI_FFT_MIX4(r0_, r1_, 1, 5, 3, 7);                  \
            nrxi_f64x4 t2_ = NRXI_FFT_MIX4(r2_, r3_, 0, 4, 2, 6), t3_ = NRXI_FFT_MIX4(r2_, r3_, 1, 5, 3, 7);                  \
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
    int eight;                         /* n = 8 m: the first radix is 8 and comes last when one transform runs alone */
    int passes;                        /* after that one */
    unsigned char radix[NRXI_FFT_PASSES];
    double *table;                     /* twiddles of all passes, then cosines and sines for the generic ones */
    double *root;
    struct nrxi_fft_f64 *half;         /* even n: the complex plan behind real transforms */
    double *real;                      /* cos, sin of 2 pi k / n for k <= n / 4 */
    struct nrxi_fft_f64 *sub;          /* Bluestein: plan of the convolution */
    double *chirp;                     /* cos, sin of pi j^2 / n, then the transformed kernel of the convolution */
    nrx_env env;
} nrxi_fft_f64;

NRXI_FN void nrxi_fft_pass_f64(size_t r, size_t m, size_t s, const double *w, const double *root, const double *NRX_RESTRICT xr,
                               const double *NRX_RESTRICT xi, double *NRX_RESTRICT yr, double *NRX_RESTRICT yi)
{
    NRXI_FFT_BODIES(double, double, double, 1)
}

NRXI_FN void nrxi_fft_last_f64(size_t m, const double *w, const double *NRX_RESTRICT xr, const double *NRX_RESTRICT xi,
                               double *NRX_RESTRICT yr, double *NRX_RESTRICT yi)
{
    NRXI_FFT_LAST(double, double, double, 1, NRXI_FFT_LOAD1)
}

#if NRXI_FFT_VEC
NRXI_FN void nrxi_fft_pass_vec_f64(size_t r, size_t m, size_t s, const double *w, const double *root, const double *NRX_RESTRICT xr,
                                   const double *NRX_RESTRICT xi, double *NRX_RESTRICT yr, double *NRX_RESTRICT yi)
{
    NRXI_FFT_BODIES(double, nrxi_fft_vf64, nrxi_fft_vf64u, NRXI_FFT_VF64)
}
#endif

#if NRXI_FFT_X86
NRXI_AVX2 NRXI_FN void nrxi_fft_pass_avx2_f64(size_t r, size_t m, size_t s, const double *w, const double *root,
                                              const double *NRX_RESTRICT xr, const double *NRX_RESTRICT xi,
                                              double *NRX_RESTRICT yr, double *NRX_RESTRICT yi)
{
    NRXI_FFT_BODIES(double, nrxi_fft_vf64, nrxi_fft_vf64u, NRXI_FFT_VF64)
}

NRXI_AVX2 NRXI_FN void nrxi_fft_last_avx2_f64(size_t m, const double *w, const double *NRX_RESTRICT xr, const double *NRX_RESTRICT xi,
                                              double *NRX_RESTRICT yr, double *NRX_RESTRICT yi)
{
    NRXI_FFT_LAST(double, nrxi_fft_vf64, nrxi_fft_vf64u, NRXI_FFT_VF64, NRXI_FFT_LOAD_F64)
}

/* xr, xi = real and imaginary parts of n numbers at z, n a multiple of the vector length; and back. */
NRXI_AVX2 NRXI_FN void nrxi_fft_split_avx2_f64(size_t n, const double *z, double *xr, double *xi)
{
    size_t i;
    for (i = 0; i < n; i += NRXI_FFT_VF64) {
        nrxi_fft_vf64 a = NRXI_FFT_LD(nrxi_fft_vf64u, z + 2 * i), b = NRXI_FFT_LD(nrxi_fft_vf64u, z + 2 * i + NRXI_FFT_VF64);
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

/* Distance from the real to the imaginary half of a split buffer: never a large power of two, which would thrash the caches. */
NRXI_FN size_t nrxi_fft_gap_f64(size_t n) { return ((n + 15) & ~(size_t)15) + 48; }

NRXI_FN size_t nrxi_fft_columns_work_f64(const nrxi_fft_f64 *p, size_t count)
{
    size_t size = 4 * nrxi_fft_gap_f64(p->n * count);
    return p->sub ? size + 4 * nrxi_fft_gap_f64(p->sub->n * count) : size;
}
NRXI_FN size_t nrxi_fft_work_f64(const nrxi_fft_f64 *p) { return nrxi_fft_columns_work_f64(p, 1); }

NRXI_FN void nrxi_fft_one_pass_f64(size_t r, size_t m, size_t s, const double *w, const double *root, const double *x, size_t gap, double *y)
{
#if NRXI_FFT_VEC
#if NRXI_FFT_X86
    if (s >= NRXI_FFT_VF64 && nrxi_cpu_avx2()) { nrxi_fft_pass_avx2_f64(r, m, s, w, root, x, x + gap, y, y + gap); return; }
#endif
    if (s >= NRXI_FFT_VF64) { nrxi_fft_pass_vec_f64(r, m, s, w, root, x, x + gap, y, y + gap); return; }
#endif
    nrxi_fft_pass_f64(r, m, s, w, root, x, x + gap, y, y + gap);
}

/* `count` smooth transforms side by side, split in a (real at a, imaginary at a + gap), b as large; returns where the result is.
   flip exchanges the roles of the halves, which makes it the inverse. */
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

/* The same for any length: Bluestein writes jk = (j^2 + k^2 - (k - j)^2) / 2, a convolution of length >= 2 n - 1. */
NRXI_FN double *nrxi_fft_split_run_f64(const nrxi_fft_f64 *p, size_t count, double *a, double *b, size_t gap)
{
    size_t n = p->n, m, gap2, j, c;
    const double *co = p->chirp, *si = co + n, *kr = si + n, *ki;
    double *u, *v, *r;
    if (!p->sub) return nrxi_fft_smooth_f64(p, count, a, b, gap);
    m = p->sub->n;
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
        for (c = j * count; c < (j + 1) * count; c++) { /* times the kernel; halves exchanged for the inverse */
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

NRXI_FN void nrxi_fft_columns_f64(const nrxi_fft_f64 *p, int inverse, size_t count, const double *in, size_t in_stride, double *out,
                                  size_t out_stride, double *work)
{
    size_t n = p->n, gap = nrxi_fft_gap_f64(n * count), re = inverse ? gap : 0, j;
    double *r;
    for (j = 0; j < n; j++) nrxi_fft_split_f64(count, in + 2 * j * in_stride, work + re + j * count, work + gap - re + j * count);
    r = nrxi_fft_split_run_f64(p, count, work, work + 2 * gap, gap);
    for (j = 0; j < n; j++) nrxi_fft_merge_f64(count, r + re + j * count, r + gap - re + j * count, out + 2 * j * out_stride);
}

/* Even n = 2 h: z_j = x_2j + i x_2j+1 has the transform Z; X_k = E + w^k O with E, O from Z_k and conj(Z_h-k). */
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
    int eight;                         /* n = 8 m: the first radix is 8 and comes last when one transform runs alone */
    int passes;                        /* after that one */
    unsigned char radix[NRXI_FFT_PASSES];
    float *table;                     /* twiddles of all passes, then cosines and sines for the generic ones */
    float *root;
    struct nrxi_fft_f32 *half;         /* even n: the complex plan behind real transforms */
    float *real;                      /* cos, sin of 2 pi k / n for k <= n / 4 */
    struct nrxi_fft_f32 *sub;          /* Bluestein: plan of the convolution */
    float *chirp;                     /* cos, sin of pi j^2 / n, then the transformed kernel of the convolution */
    nrx_env env;
} nrxi_fft_f32;

NRXI_FN void nrxi_fft_pass_f32(size_t r, size_t m, size_t s, const float *w, const float *root, const float *NRX_RESTRICT xr,
                               const float *NRX_RESTRICT xi, float *NRX_RESTRICT yr, float *NRX_RESTRICT yi)
{
    NRXI_FFT_BODIES(float, float, float, 1)
}

NRXI_FN void nrxi_fft_last_f32(size_t m, const float *w, const float *NRX_RESTRICT xr, const float *NRX_RESTRICT xi,
                               float *NRX_RESTRICT yr, float *NRX_RESTRICT yi)
{
    NRXI_FFT_LAST(float, float, float, 1, NRXI_FFT_LOAD1)
}

#if NRXI_FFT_VEC
NRXI_FN void nrxi_fft_pass_vec_f32(size_t r, size_t m, size_t s, const float *w, const float *root, const float *NRX_RESTRICT xr,
                                   const float *NRX_RESTRICT xi, float *NRX_RESTRICT yr, float *NRX_RESTRICT yi)
{
    NRXI_FFT_BODIES(float, nrxi_fft_vf32, nrxi_fft_vf32u, NRXI_FFT_VF32)
}
#endif

#if NRXI_FFT_X86
NRXI_AVX2 NRXI_FN void nrxi_fft_pass_avx2_f32(size_t r, size_t m, size_t s, const float *w, const float *root,
                                              const float *NRX_RESTRICT xr, const float *NRX_RESTRICT xi,
                                              float *NRX_RESTRICT yr, float *NRX_RESTRICT yi)
{
    NRXI_FFT_BODIES(float, nrxi_fft_vf32, nrxi_fft_vf32u, NRXI_FFT_VF32)
}

NRXI_AVX2 NRXI_FN void nrxi_fft_last_avx2_f32(size_t m, const float *w, const float *NRX_RESTRICT xr, const float *NRX_RESTRICT xi,
                                              float *NRX_RESTRICT yr, float *NRX_RESTRICT yi)
{
    NRXI_FFT_LAST(float, nrxi_fft_vf32, nrxi_fft_vf32u, NRXI_FFT_VF32, NRXI_FFT_LOAD_F32)
}

/* xr, xi = real and imaginary parts of n numbers at z, n a multiple of the vector length; and back. */
NRXI_AVX2 NRXI_FN void nrxi_fft_split_avx2_f32(size_t n, const float *z, float *xr, float *xi)
{
    size_t i;
    for (i = 0; i < n; i += NRXI_FFT_VF32) {
        nrxi_fft_vf32 a = NRXI_FFT_LD(nrxi_fft_vf32u, z + 2 * i), b = NRXI_FFT_LD(nrxi_fft_vf32u, z + 2 * i + NRXI_FFT_VF32);
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

/* Distance from the real to the imaginary half of a split buffer: never a large power of two, which would thrash the caches. */
NRXI_FN size_t nrxi_fft_gap_f32(size_t n) { return ((n + 15) & ~(size_t)15) + 48; }

NRXI_FN size_t nrxi_fft_columns_work_f32(const nrxi_fft_f32 *p, size_t count)
{
    size_t size = 4 * nrxi_fft_gap_f32(p->n * count);
    return p->sub ? size + 4 * nrxi_fft_gap_f32(p->sub->n * count) : size;
}
NRXI_FN size_t nrxi_fft_work_f32(const nrxi_fft_f32 *p) { return nrxi_fft_columns_work_f32(p, 1); }

NRXI_FN void nrxi_fft_one_pass_f32(size_t r, size_t m, size_t s, const float *w, const float *root, const float *x, size_t gap, float *y)
{
#if NRXI_FFT_VEC
#if NRXI_FFT_X86
    if (s >= NRXI_FFT_VF32 && nrxi_cpu_avx2()) { nrxi_fft_pass_avx2_f32(r, m, s, w, root, x, x + gap, y, y + gap); return; }
#endif
    if (s >= NRXI_FFT_VF32) { nrxi_fft_pass_vec_f32(r, m, s, w, root, x, x + gap, y, y + gap); return; }
#endif
    nrxi_fft_pass_f32(r, m, s, w, root, x, x + gap, y, y + gap);
}

/* `count` smooth transforms side by side, split in a (real at a, imaginary at a + gap), b as large; returns where the result is.
   flip exchanges the roles of the halves, which makes it the inverse. */
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

/* The same for any length: Bluestein writes jk = (j^2 + k^2 - (k - j)^2) / 2, a convolution of length >= 2 n - 1. */
NRXI_FN float *nrxi_fft_split_run_f32(const nrxi_fft_f32 *p, size_t count, float *a, float *b, size_t gap)
{
    size_t n = p->n, m, gap2, j, c;
    const float *co = p->chirp, *si = co + n, *kr = si + n, *ki;
    float *u, *v, *r;
    if (!p->sub) return nrxi_fft_smooth_f32(p, count, a, b, gap);
    m = p->sub->n;
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
        for (c = j * count; c < (j + 1) * count; c++) { /* times the kernel; halves exchanged for the inverse */
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

NRXI_FN void nrxi_fft_columns_f32(const nrxi_fft_f32 *p, int inverse, size_t count, const float *in, size_t in_stride, float *out,
                                  size_t out_stride, float *work)
{
    size_t n = p->n, gap = nrxi_fft_gap_f32(n * count), re = inverse ? gap : 0, j;
    float *r;
    for (j = 0; j < n; j++) nrxi_fft_split_f32(count, in + 2 * j * in_stride, work + re + j * count, work + gap - re + j * count);
    r = nrxi_fft_split_run_f32(p, count, work, work + 2 * gap, gap);
    for (j = 0; j < n; j++) nrxi_fft_merge_f32(count, r + re + j * count, r + gap - re + j * count, out + 2 * j * out_stride);
}

/* Even n = 2 h: z_j = x_2j + i x_2j+1 has the transform Z; X_k = E + w^k O with E, O from Z_k and conj(Z_h-k). */
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
#elif NRXI_FFT_VERSION != 3296914047
#error "nrx: headers with different versions of the fft block are mixed in one translation unit"
#endif
/* <<< nrx fft (implementation) */
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
NRXI_IMPL_END

NRXI_IMPL_BEGIN
/* ==================================================== solving ================================================ */

static double nrxi_dyn_min(double a, double b) { return a < b ? a : b; }
static double nrxi_dyn_max(double a, double b) { return a > b ? a : b; }

/* x^(-1/m) for step factors, m = 10 or 16, within 4 %, from the bits of x alone: it lies on the critical path from one step
   to the next, where pow would cost as much as a stage. */
static double nrxi_dyn_root(double x, int m)
{
    uint64_t bits;
    double y;
    if (!(x > 1e-30)) x = 1e-30;
    if (x > 1e30) x = 1e30;
    memcpy(&bits, &x, 8);
    bits = m == 16 ? 0x43ee2f1a9fbe76c9u - (bits >> 4) : 0x4653eb851eb8551fu - bits / 10u;
    memcpy(&y, &bits, 8);
    return y;
}

/* -- tableaux -- */

/* Rows of a (lower triangle, 7 stages, the last row is b), nodes c, error weights e = b - b^, first four are public facts
   of Dormand & Prince 1980 and Tsitouras 2011. */
typedef struct nrxi_rk7 { double c[5], a[21], e[7]; } nrxi_rk7;

static const nrxi_rk7 nrxi_rk7_dp5 = {
    {1.0 / 5, 3.0 / 10, 4.0 / 5, 8.0 / 9, 1.0},
    {1.0 / 5, 3.0 / 40, 9.0 / 40, 44.0 / 45, -56.0 / 15, 32.0 / 9, 19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561,
     -212.0 / 729, 9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656, 35.0 / 384, 0.0,
     500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84},
    {71.0 / 57600, 0.0, -71.0 / 16695, 71.0 / 1920, -17253.0 / 339200, 22.0 / 525, -1.0 / 40}};

static const nrxi_rk7 nrxi_rk7_tsit5 = {
    {0.161, 0.327, 0.9, 0.9800255409045097, 1.0},
    {0.161, -0.008480655492356989, 0.335480655492357, 2.8971530571054935, -6.359448489975075, 4.3622954328695815,
     5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525, 5.86145544294642,
     -12.92096931784711, 8.159367898576159, -0.071584973281401, -0.028269050394068383, 0.09646076681806523, 0.01,
     0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774},
    {-0.00178001105222577714, -0.0008164344596567469, 0.007880878010261995, -0.1447110071732629, 0.5823571654525552,
     -0.45808210592918697, 0.015151515151515152}};

/* Dense output of Dormand-Prince: the fifth coefficient (Hairer, Norsett & Wanner I, II.6). */
static const double nrxi_dp5_dense[7] = {-12715105075.0 / 11282082432.0, 0.0, 87487479700.0 / 32700410799.0,
    -10690763975.0 / 1880347072.0, 701980252875.0 / 199316789632.0, -1453857185.0 / 822651844.0, 69997945.0 / 29380423.0};

/* Dense output of Tsitouras: weight of stage i is theta (r0 + r1 theta + r2 theta^2 + r3 theta^3). */
static const double nrxi_tsit5_dense[7][4] = {
    {1.0, -2.763706197274826, 2.9132554618219126, -1.0530884977290216},
    {0.0, 0.13169999999999998, -0.2234, 0.1017},
    {0.0, 3.9302962368947516, -5.941033872131505, 2.490627285651253},
    {0.0, -12.411077166933676, 30.33818863028232, -16.548102889244902},
    {0.0, 37.50931341651104, -88.1789048947664, 47.37952196281928},
    {0.0, -27.896526289197286, 65.09189467479366, -34.87065786149661},
    {0.0, 1.5, -4.0, 2.5}};

/* DOP853 (Hairer, Norsett & Wanner I, II.5): the non-zero entries of the rows of a; b; nodes; the two error estimators; the
   three extra stages and the four rows of the dense output. */
static const double nrxi_dop853_a[] = {
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
static const double nrxi_dop853_b[] = {
  0.054293734116568765, 4.450312892752409, 1.8915178993145003, -5.801203960010585, 0.3111643669578199,
  -0.1521609496625161, 0.20136540080403034, 0.04471061572777259
};
static const double nrxi_dop853_c[] = {
  0.0, 0.05260015195876773, 0.0789002279381516, 0.1183503419072274, 0.2816496580927726,
  0.3333333333333333, 0.25, 0.3076923076923077, 0.6512820512820513, 0.6, 0.8571428571428571, 1.0, 1.0,
  0.1, 0.2, 0.7777777777777778
};
static const double nrxi_dop853_e3[] = {
  -0.18980075407240762, 4.450312892752409, 1.8915178993145003, -5.801203960010585, -0.4226823213237919,
  -0.1521609496625161, 0.20136540080403034, 0.02265179219836082
};
static const double nrxi_dop853_e5[] = {
  0.01312004499419488, -1.2251564463762044, -0.4957589496572502, 1.6643771824549864,
  -0.35032884874997366, 0.3341791187130175, 0.08192320648511571, -0.022355307863886294
};
static const double nrxi_dop853_ax[] = {
  0.056167502283047954, 0.25350021021662483, -0.2462390374708025, -0.12419142326381637,
  0.15329179827876568, 0.00820105229563469, 0.007567897660545699, -0.008298, 0.03183464816350214,
  0.028300909672366776, 0.053541988307438566, -0.05492374857139099, -0.00010834732869724932,
  0.0003825710908356584, -0.00034046500868740456, 0.1413124436746325, -0.42889630158379194,
  -4.697621415361164, 7.683421196062599, 4.06898981839711, 0.3567271874552811, -0.0013990241651590145,
  2.9475147891527724, -9.15095847217987
};
static const double nrxi_dop853_d[] = {
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
static const double nrxi_radau_c[3] = {0.15505102572168219, 0.64494897427831781, 1.0};
static const double nrxi_radau_e[3] = {-10.048809399827415, 1.3821427331607482, -0.33333333333333333};
static const double nrxi_radau_mu = 3.6378342527444958, nrxi_radau_mur = 2.6810828736277521,
                    nrxi_radau_mui = -3.0504301992474105;
static const double nrxi_radau_t[3][3] = {
    {0.09443876248897524, -0.14125529502095421, 0.03002919410514742},
    {0.25021312296533332, 0.20412935229379994, -0.38294211275726192},
    {1.0, 1.0, 0.0}};
static const double nrxi_radau_ti[3][3] = {
    {4.17871859155190428, 0.32768282076106237, 0.52337644549944951},
    {-4.17871859155190428, -0.32768282076106237, 0.47662355450055044},
    {0.50287263494578682, -2.57192694985560522, 0.59603920482822492}};
static const double nrxi_radau_p[3][3] = {
    {10.048809399827415, -25.629591447076641, 15.580782047249226},
    {-1.3821427331607482, 10.296258113743307, -8.9141153805825590},
    {0.33333333333333333, -2.6666666666666667, 3.3333333333333333}};

/* -- the solver object -- */

struct nrx_dyn_solver {
    nrx_vfield f;
    nrx_dyn_solve_desc d;
    nrx_dyn_solve_info info;
    size_t n;
    double dir, t, told, tend, h, hlag;  /* h > 0 is the next step, hlag the one after it (0 = h); dir the sign */
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

static size_t nrxi_dyn_check_desc(const nrx_vfield *f, const double *y0, const nrx_dyn_solve_desc *d, const char *who,
                                  nrx_status *st)
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
        || !nrxi_finite_f64(&d->max_step) || d->step < 0 || d->max_step < 0 || (d->rtol < 0 && d->atol < 0 && !d->atols)) {
        (void)nrxi_fail(env, NRX_E_ARG, "%s: tolerances and steps must be finite, steps not negative, one tolerance positive",
                        who);
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
    s->tmp = p; p += n; /* tmp, k[1] .. , dense stand in a row: nrxi_rk7_body relies on it */
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
    if (!s) return nrxi_fail(&d.env, NRX_E_NOMEM, "nrx_dyn_solver_create: out of memory");
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

/* A hot body that is instantiated for several constant n and instruction sets. */
#if (defined(__GNUC__) || defined(__clang__)) && !defined(__TINYC__)
#define NRXI_DYN_HOT NRXI_UNUSED static inline __attribute__((always_inline))
#else
#define NRXI_DYN_HOT NRX_INLINE
#endif
#if defined(__GNUC__) && !defined(__clang__) && !defined(__TINYC__) && __GNUC__ >= 8
#define NRXI_DYN_UNROLL _Pragma("GCC unroll 4")
#else
#define NRXI_DYN_UNROLL
#endif

/* Takes accepted steps of a 7-stage pair until `stop` is reached or `budget` steps are done; n may be a constant. What stands
   between two calls of f decides the speed for small systems: the coefficients are multiplied by h once, the newest stage is
   added last, pointers and step stay in registers, and the step after next is what an error estimate decides (the estimate of
   this step is only tested), so that no step waits for it. */
NRXI_DYN_HOT nrx_status nrxi_rk7_body(nrx_dyn_solver *s, double stop, size_t budget, size_t n, int tsit)
{
    const nrxi_rk7 *tab = tsit ? &nrxi_rk7_tsit5 : &nrxi_rk7_dp5;
    const double *c = tab->c, *e = tab->e, *atols = s->d.atols;
    double *k1 = s->k[1], *k2 = k1 + n, *k3 = k2 + n, *k4 = k3 + n, *k5 = k4 + n, *w = k1 - n, *sc = k5 + 2 * n;
    double *k0 = s->k[0], *k6 = s->k[6], *y = s->y, *yold = s->yold, *v = s->ynew, *swap, t = s->t, told = s->told, tend = s->tend;
    double rtol = s->d.rtol, atol = s->d.atol, a[21], h = s->dir * s->h, dir = s->dir, next = s->hlag > 0 ? dir * s->hlag : h, last = s->info.step, inv = 1.0 / (double)n;
    double hmax = s->d.max_step > 0 ? s->d.max_step : HUGE_VAL;
    size_t i, steps = 0, tried = 0;
    nrx_status (*f)(void *, double, const double *, double *) = s->f.f;
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
    #if defined(NRXI_VEC)
            for (i = 0; i < 20; i += 4) *(nrxi_f64x4u *)(a + i) = *(const nrxi_f64x4u *)(tab->a + i) * h;
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
                double z = y[i] + a[15] * k0[i] + (tsit ? a[16] * k1[i] : 0.0) + a[17] * k2[i] + a[18] * k3[i] + a[19] * k4[i] + a[20] * k5[i];
                double p = fabs(y[i]), q = fabs(z);
                v[i] = z;
                sc[i] = h / ((atols ? atols[i] : atol) + rtol * (p > q ? p : q));
            }
            if ((st = f(u, tn, v, k6)) != NRX_OK) goto failed;
            sum = 0.0;
            NRXI_DYN_UNROLL
            for (i = 0; i < n; i++) {
                double r = (e[0] * k0[i] + (tsit ? e[1] * k1[i] : 0.0) + e[2] * k2[i] + e[3] * k3[i] + e[4] * k4[i] + e[5] * k5[i] + e[6] * k6[i]) * sc[i];
                sum += r * r;
            }
            sum *= inv;
            factor = 0.95 * nrxi_dyn_root(sum, 10);
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

/* Three equations of the default method are a case of their own, everything else shares one. */
#define NRXI_RK7_PICK(s, stop, budget) \
    ((s)->d.method == NRX_DYN_DP5 && (s)->n == 3 ? nrxi_rk7_body(s, stop, budget, 3, 0) \
                                                 : nrxi_rk7_body(s, stop, budget, (s)->n, (s)->d.method == NRX_DYN_TSIT5))
#if defined(NRXI_X86)
NRXI_AVX2 static nrx_status nrxi_rk7_avx2(nrx_dyn_solver *s, double stop, size_t budget) { return NRXI_RK7_PICK(s, stop, budget); }
#endif

static nrx_status nrxi_rk7_run(nrx_dyn_solver *s, double stop, size_t budget)
{
    nrx_status st;
#if defined(NRXI_X86)
    if (nrxi_cpu_avx2()) st = nrxi_rk7_avx2(s, stop, budget);
    else
#endif
        st = NRXI_RK7_PICK(s, stop, budget);
    if (st == NRX_E_RANGE)
        return nrxi_fail(&s->d.env, NRX_E_NUMERIC, "nrx_dyn_solver_step: step size too small at t = %g", s->t);
    return st;
}

static nrx_status nrxi_dop853_try(nrx_dyn_solver *s, double h, double *err2)
{
    const double *a = nrxi_dop853_a, *b = nrxi_dop853_b, *c = nrxi_dop853_c, *g = nrxi_dop853_e3, *e = nrxi_dop853_e5;
    const double *y = s->y, *k0 = s->k[0], *k1 = s->k[1], *k2 = s->k[2], *k3 = s->k[3], *k4 = s->k[4], *k5 = s->k[5],
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
    for (i = 0; i < n; i++) w[i] = y[i] + h * ((a[11] * k0[i] + a[12] * k3[i]) + (a[13] * k4[i] + a[14] * k5[i]));
    if ((st = f(u, t + c[6] * h, w, s->k[6])) != NRX_OK) return st;
    for (i = 0; i < n; i++)
        w[i] = y[i] + h * ((a[15] * k0[i] + a[16] * k3[i]) + (a[17] * k4[i] + a[18] * k5[i]) + a[19] * k6[i]);
    if ((st = f(u, t + c[7] * h, w, s->k[7])) != NRX_OK) return st;
    for (i = 0; i < n; i++)
        w[i] = y[i] + h * ((a[20] * k0[i] + a[21] * k3[i]) + (a[22] * k4[i] + a[23] * k5[i]) + (a[24] * k6[i] + a[25] * k7[i]));
    if ((st = f(u, t + c[8] * h, w, s->k[8])) != NRX_OK) return st;
    for (i = 0; i < n; i++)
        w[i] = y[i] + h * ((a[26] * k0[i] + a[27] * k3[i]) + (a[28] * k4[i] + a[29] * k5[i]) + (a[30] * k6[i] + a[31] * k7[i])
                           + a[32] * k8[i]);
    if ((st = f(u, t + c[9] * h, w, s->k[9])) != NRX_OK) return st;
    for (i = 0; i < n; i++)
        w[i] = y[i] + h * ((a[33] * k0[i] + a[34] * k3[i]) + (a[35] * k4[i] + a[36] * k5[i]) + (a[37] * k6[i] + a[38] * k7[i])
                           + (a[39] * k8[i] + a[40] * k9[i]));
    if ((st = f(u, t + c[10] * h, w, s->k[10])) != NRX_OK) return st;
    for (i = 0; i < n; i++)
        w[i] = y[i] + h * ((a[41] * k0[i] + a[42] * k3[i]) + (a[43] * k4[i] + a[44] * k5[i]) + (a[45] * k6[i] + a[46] * k7[i])
                           + (a[47] * k8[i] + a[48] * k9[i]) + a[49] * k10[i]);
    if ((st = f(u, t + h, w, s->k[11])) != NRX_OK) return st;
    for (i = 0; i < n; i++) {
        double sc, p, q;
        v[i] = y[i] + h * ((b[0] * k0[i] + b[1] * k5[i]) + (b[2] * k6[i] + b[3] * k7[i]) + (b[4] * k8[i] + b[5] * k9[i])
                           + (b[6] * k10[i] + b[7] * k11[i]));
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

static nrx_status nrxi_rk4_step(nrx_dyn_solver *s, double h)
{
    const double *y = s->y;
    double *k0 = s->k[0], *k1 = s->k[1], *k2 = s->k[2], *k3 = s->k[3], *w = s->tmp, t = s->t, q = h / 6.0, g = 0.5 * h;
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
static nrx_status nrxi_dyn_jacobian(const nrx_vfield *f, double t, const double *y, const double *f0, double *w, double *fw,
                                    double *J)
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

static nrx_status nrxi_radau_factor(nrx_dyn_solver *s, double h)
{
    size_t i, n = s->n;
    for (i = 0; i < n * n; i++) {
        s->lu_r[i] = -s->J[i];
        s->lu_c[2 * i] = -s->J[i];
        s->lu_c[2 * i + 1] = 0.0;
    }
    for (i = 0; i < n; i++) {
        s->lu_r[i * n + i] += nrxi_radau_mu / h;
        s->lu_c[2 * (i * n + i)] += nrxi_radau_mur / h;
        s->lu_c[2 * (i * n + i) + 1] += nrxi_radau_mui / h;
    }
    s->info.factorizations++;
    s->have_lu = 1;
    s->hlu = h;
    if (nrxi_lu(n, s->lu_r, n, s->piv_r) != NRX_OK || !nrxi_dyn_clu(n, s->lu_c, s->piv_c)) return NRX_E_NUMERIC;
    return NRX_OK;
}

/* Simplified Newton for the three stages; *iter and *rate are results, 1 is returned on convergence. */
static int nrxi_radau_newton(nrx_dyn_solver *s, double h, double tol, int *iter, double *rate, nrx_status *st)
{
    size_t i, n = s->n;
    double *Z = s->Z, *W = s->W, *F = s->F, *re = s->rhs, *co = s->rhs + n, old = -1.0;
    int k, m;
    *rate = -1.0;
    for (m = 0; m < 3; m++)
        for (i = 0; i < n; i++)
            W[(size_t)m * n + i] = nrxi_radau_ti[m][0] * Z[i] + nrxi_radau_ti[m][1] * Z[n + i] + nrxi_radau_ti[m][2] * Z[2 * n + i];
    for (k = 0; k < 6; k++) {
        double norm = 0.0;
        *iter = k + 1;
        for (m = 0; m < 3; m++) {
            for (i = 0; i < n; i++) s->tmp[i] = s->y[i] + Z[(size_t)m * n + i];
            *st = nrxi_dyn_eval(s, s->t + nrxi_radau_c[m] * h, s->tmp, F + (size_t)m * n);
            if (*st != NRX_OK) return 0;
        }
        if (!nrxi_all_finite(F, 3 * n, NRX_F64)) return 0;
        for (i = 0; i < n; i++) {
            double a = F[i], b = F[n + i], c = F[2 * n + i], w1 = W[n + i], w2 = W[2 * n + i];
            const double (*ti)[3] = nrxi_radau_ti;
            re[i] = ti[0][0] * a + ti[0][1] * b + ti[0][2] * c - nrxi_radau_mu / h * W[i];
            co[2 * i] = ti[1][0] * a + ti[1][1] * b + ti[1][2] * c - (nrxi_radau_mur * w1 - nrxi_radau_mui * w2) / h;
            co[2 * i + 1] = ti[2][0] * a + ti[2][1] * b + ti[2][2] * c - (nrxi_radau_mur * w2 + nrxi_radau_mui * w1) / h;
        }
        nrxi_lu_solve(n, s->lu_r, n, s->piv_r, re, 1);
        nrxi_dyn_clu_solve(n, s->lu_c, s->piv_c, co);
        for (i = 0; i < n; i++) {
            double sc = nrxi_dyn_tol(s, i, s->y[i], 0.0), a = re[i] / sc, b = co[2 * i] / sc, c = co[2 * i + 1] / sc;
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
                Z[(size_t)m * n + i] = nrxi_radau_t[m][0] * W[i] + nrxi_radau_t[m][1] * W[n + i] + nrxi_radau_t[m][2] * W[2 * n + i];
        if (norm == 0.0 || (*rate > 0 && *rate / (1.0 - *rate) * norm < tol)) return 1;
        old = norm;
    }
    return 0;
}

static double nrxi_radau_predict(const nrx_dyn_solver *s, double h, double err)
{
    double mult = 1.0;
    if (s->errold > 0 && s->hold > 0 && err > 0) mult = h / s->hold * pow(s->errold / err, 0.25);
    return nrxi_dyn_min(1.0, mult) * pow(nrxi_dyn_max(err, 1e-10), -0.25);
}

static double nrxi_radau_error(nrx_dyn_solver *s, const double *ze, const double *f0, double *err)
{
    size_t i, n = s->n;
    double sum = 0.0;
    for (i = 0; i < n; i++) err[i] = f0[i] + ze[i];
    nrxi_lu_solve(n, s->lu_r, n, s->piv_r, err, 1);
    for (i = 0; i < n; i++) {
        double r = err[i] / nrxi_dyn_tol(s, i, s->y[i], s->ynew[i]);
        sum += r * r;
    }
    return sqrt(sum / (double)n);
}

/* The dense polynomial of the last step in s->dense [3][n], at fraction x of it, relative to yold. */
static void nrxi_radau_dense(const nrx_dyn_solver *s, double x, double *y)
{
    size_t i, n = s->n;
    for (i = 0; i < n; i++)
        y[i] = s->yold[i] + x * (s->dense[i] + x * (s->dense[n + i] + x * s->dense[2 * n + i]));
}

static nrx_status nrxi_radau_step(nrx_dyn_solver *s, double hmin)
{
    size_t i, n = s->n;
    double newton_tol, rate = 0, err = 0, h, factor, *ze = s->rhs + 3 * n, *ev = s->rhs + 4 * n;
    int iter = 0, m, rejected = 0, converged;
    nrx_status st = NRX_OK;
    newton_tol = s->d.rtol > 0 ? nrxi_dyn_max(10.0 * DBL_EPSILON / s->d.rtol, nrxi_dyn_min(0.03, sqrt(s->d.rtol))) : 0.03;
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
                nrxi_radau_dense(s, (s->t + nrxi_radau_c[m] * h - s->told) / (s->t - s->told), s->Z + (size_t)m * n);
                for (i = 0; i < n; i++) s->Z[(size_t)m * n + i] -= s->y[i];
            }
        } else memset(s->Z, 0, 3 * n * sizeof(double));
        for (;;) {
            converged = 0;
            if (!s->have_lu && (st = nrxi_radau_factor(s, h)) != NRX_OK) break;
            converged = nrxi_radau_newton(s, h, newton_tol, &iter, &rate, &st);
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
            ze[i] = (s->Z[i] * nrxi_radau_e[0] + s->Z[n + i] * nrxi_radau_e[1] + s->Z[2 * n + i] * nrxi_radau_e[2]) / h;
        }
        err = nrxi_radau_error(s, ze, s->k[0], ev);
        if (rejected && err > 1.0) {
            for (i = 0; i < n; i++) s->tmp[i] = s->y[i] + ev[i];
            st = nrxi_dyn_eval(s, s->t, s->tmp, s->F);
            if (st != NRX_OK && st != NRX_E_NUMERIC) return st;
            if (st == NRX_OK) err = nrxi_radau_error(s, ze, s->F, ev);
        }
        factor = 0.9 * 13.0 / (12.0 + iter);
        if (!nrxi_finite_f64(&err)) { s->h *= 0.2; s->have_lu = 0; rejected = 1; s->info.rejected++; continue; }
        if (err <= 1.0) break;
        s->h *= nrxi_dyn_max(0.2, factor * nrxi_radau_predict(s, s->h, err));
        s->have_lu = 0;
        rejected = 1;
        s->info.rejected++;
    }
    {
        int renew = iter > 2 && rate > 1e-3;
        double grow = nrxi_dyn_min(10.0, factor * nrxi_radau_predict(s, s->h, err));
        if (!renew && grow < 1.2) grow = 1.0;
        else s->have_lu = 0;
        st = nrxi_dyn_eval(s, s->t + h, s->ynew, s->k[0]);
        if (st != NRX_OK) return st;
        for (m = 0; m < 3; m++)
            for (i = 0; i < n; i++)
                s->dense[(size_t)m * n + i] = s->Z[i] * nrxi_radau_p[0][m] + s->Z[n + i] * nrxi_radau_p[1][m]
                                            + s->Z[2 * n + i] * nrxi_radau_p[2][m];
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
        st = nrxi_rk4_step(s, tnew - s->t);
        if (st == NRX_OK && !nrxi_all_finite(s->ynew, s->n, NRX_F64)) st = NRX_E_NUMERIC;
        if (st != NRX_OK) return nrxi_fail(&s->d.env, st, "nrx_dyn_solver_step: RK4 broke down at t = %g", s->t);
        s->iseg++;
        s->info.step = tnew - s->t;
        nrxi_dyn_accept(s, tnew);
        return NRX_OK;
    }
    if (s->h < hmin) s->h = hmin;
    if (s->d.method == NRX_DYN_RADAU5) {
        st = nrxi_radau_step(s, hmin);
        if (st != NRX_OK) return nrxi_fail(&s->d.env, st, "nrx_dyn_solver_step: step size too small at t = %g", s->t);
        tnew = s->t + s->info.step;
        if (fabs(tnew - s->tend) <= hmin) tnew = s->tend;
        nrxi_dyn_accept(s, tnew);
        return NRX_OK;
    }
    if (s->d.method != NRX_DYN_DOP853) return nrxi_rk7_run(s, s->tend, 1);
    for (;;) {
        double factor;
        if (s->h < hmin)
            return nrxi_fail(&s->d.env, NRX_E_NUMERIC, "nrx_dyn_solver_step: step size too small at t = %g", s->t);
        tnew = s->t + s->dir * s->h;
        if (s->dir * (tnew - s->tend) > 0) tnew = s->tend;
        h = tnew - s->t;
        s->h = fabs(h);
        st = nrxi_dop853_try(s, h, &err2);
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

static nrx_status nrxi_dop853_prepare(nrx_dyn_solver *s)
{
    const double *a = nrxi_dop853_ax, *c = nrxi_dop853_c, *d = nrxi_dop853_d;
    const double *y = s->yold, *k0 = s->k[12], *k12 = s->k[0];
    double h = s->t - s->told, **k = s->k, *w = s->tmp, *D = s->dense;
    size_t i, n = s->n, m;
    nrx_status st;
    for (i = 0; i < n; i++)
        w[i] = y[i] + h * (a[0] * k0[i] + a[1] * k[6][i] + a[2] * k[7][i] + a[3] * k[8][i] + a[4] * k[9][i] + a[5] * k[10][i]
                           + a[6] * k[11][i] + a[7] * k12[i]);
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
            D[(3 + m) * n + i] = h * (r[0] * k0[i] + r[1] * k[5][i] + r[2] * k[6][i] + r[3] * k[7][i] + r[4] * k[8][i]
                                      + r[5] * k[9][i] + r[6] * k[10][i] + r[7] * k[11][i] + r[8] * k12[i] + r[9] * k[13][i]
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
    case NRX_DYN_DOP853: st = nrxi_dop853_prepare(s); break;
    case NRX_DYN_DP5:
        for (i = 0; i < n; i++) {
            const double *e = nrxi_dp5_dense, **k = (const double **)(void *)s->k;
            double dy = s->y[i] - s->yold[i], b = h * k[6][i] - dy;
            D[i] = dy;
            D[n + i] = b;
            D[2 * n + i] = dy - h * k[0][i] - b;
            D[3 * n + i] = h * (e[0] * k[6][i] + e[2] * k[2][i] + e[3] * k[3][i] + e[4] * k[4][i] + e[5] * k[5][i] + e[6] * k[0][i]);
        }
        break;
    case NRX_DYN_TSIT5:
        for (i = 0; i < n; i++) {
            int m, j;
            for (m = 0; m < 4; m++) {
                double v = nrxi_tsit5_dense[0][m] * s->k[6][i] + nrxi_tsit5_dense[6][m] * s->k[0][i];
                for (j = 1; j < 6; j++) v += nrxi_tsit5_dense[j][m] * s->k[j][i];
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
            y[i] = s->yold[i] + x * (D[i] + z * (D[n + i] + x * (D[2 * n + i] + z * (D[3 * n + i] + x * (D[4 * n + i]
                   + z * (D[5 * n + i] + x * D[6 * n + i]))))));
        break;
    case NRX_DYN_RADAU5: nrxi_radau_dense(s, x, y); break;
    default:
        for (i = 0; i < n; i++)
            y[i] = s->yold[i] * z * z * (1 + 2 * x) + s->y[i] * x * x * (3 - 2 * x) + h * x * z * (z * D[i] - x * s->k[0][i]);
        break;
    }
    return NRX_OK;
}

NRX_DEF nrx_status nrx_dyn_solver_at(nrx_dyn_solver *s, double t, double *y)
{
    if (!s || !y || s->dir * (t - s->t) > 0 || s->dir * (t - s->told) < 0)
        return nrxi_fail(s ? &s->d.env : NULL, NRX_E_ARG, "nrx_dyn_solver_at: time %g is outside the last step", t);
    return nrxi_dyn_dense_at(s, t, y);
}

/* -- events -- */

/* Zero of event e between the ends of the last step, whose values are ga and gb: Illinois steps, then bisection. */
static nrx_status nrxi_dyn_event_root(nrx_dyn_solver *s, const nrx_dyn_event *e, double ga, double gb, double *w, double *root)
{
    double a = s->told, b = s->t, tiny = 4.0 * DBL_EPSILON * nrxi_dyn_max(fabs(a), fabs(b)) + 1e-15 * fabs(b - a);
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

/* Looks at all events after a step; *stop is the earliest terminal time (when `stopped`). g [n_events] holds the last values. */
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
    if (nt == 0 || !t || !y) return nrxi_fail(&d.env, NRX_E_ARG, "nrx_dyn_solve: needs output times and an array for the states");
    for (i = 0; i < nt; i++)
        if (!nrxi_finite_f64(&t[i]) || (i > 1 && (t[i] > t[i - 1]) != (t[1] > t[0])) || (i > 0 && t[i] == t[i - 1]))
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
        if (!g || !w) { st = nrxi_fail(&d.env, NRX_E_NOMEM, "nrx_dyn_solve: out of memory"); goto done; }
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
            st = nrxi_rk7_run(s, t[row], left < 65536 ? left : 65536);
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

NRX_DEF nrx_status nrx_dyn_iterate(const nrx_vfield *map, const double *y0, size_t skip, size_t count, double *y)
{
    double *a, *b, *swap;
    size_t i, n;
    nrx_status st = NRX_OK;
    if (!map || !map->f || map->n == 0 || !y0 || (count && !y))
        return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_iterate: needs a map, an initial state and an array");
    n = map->n;
    a = (double *)nrxi_alloc(NULL, n, 2 * sizeof(double));
    if (!a) return nrxi_fail(NULL, NRX_E_NOMEM, "nrx_dyn_iterate: out of memory");
    b = a + n;
    swap = a;
    memcpy(a, y0, n * sizeof(double));
    for (i = 0; i < skip + count && st == NRX_OK; i++) {
        double *c;
        st = map->f(map->user, (double)i, a, b);
        if (st == NRX_OK && !nrxi_all_finite(b, n, NRX_F64)) st = NRX_E_NUMERIC;
        if (st != NRX_OK) { st = nrxi_fail(NULL, st, "nrx_dyn_iterate: the orbit broke down at iteration %zu", i); break; }
        if (i >= skip) memcpy(y + (i - skip) * n, b, n * sizeof(double));
        c = a;
        a = b;
        b = c;
    }
    nrxi_free(NULL, swap);
    return st;
}

/* -- stochastic equations -- */

NRX_DEF nrx_status nrx_dyn_solve_sde(const nrx_vfield *f, const nrx_dyn_noise *noise, int method, uint64_t seed,
                                     const double *y0, size_t nt, const double *t, size_t substeps, double *y)
{
    double *w;
    size_t i, j, k, n;
    nrx_rng rng;
    nrx_status st = NRX_OK;
    if (!f || !f->f || f->n == 0 || !noise || !noise->g || !y0 || !t || !y || nt == 0 || substeps == 0
        || method < NRX_DYN_EULER_MARUYAMA || method > NRX_DYN_MILSTEIN)
        return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_solve_sde: needs a field, noise, times, an array and substeps > 0");
    for (i = 1; i < nt; i++)
        if (!(t[i] > t[i - 1])) return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_solve_sde: t[%zu] does not increase", i);
    n = f->n;
    w = (double *)nrxi_alloc(NULL, n, 5 * sizeof(double));
    if (!w) return nrxi_fail(NULL, NRX_E_NOMEM, "nrx_dyn_solve_sde: out of memory");
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
        if (st == NRX_OK && !nrxi_all_finite(w, n, NRX_F64)) st = nrxi_fail(NULL, NRX_E_NUMERIC, "nrx_dyn_solve_sde: the path left the finite numbers before t = %g", t[i]);
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
            c = cap <= (size_t)-1 / (5 * n) ? (double *)nrxi_realloc(&s->d.env, p->piece, cap * 5 * n, sizeof(double)) : NULL;
            if (c) p->piece = c;
            if (!a || !b || !c) return nrxi_fail(&s->d.env, NRX_E_NOMEM, "nrx_dyn_solve_delay: out of memory for the history");
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

NRX_DEF nrx_status nrx_dyn_solve_delay(const nrx_dyn_delay *f, const double *y0, size_t nt, const double *t, double *y,
                                       const nrx_dyn_solve_desc *desc, nrx_dyn_solve_info *info)
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
        return nrxi_fail(&d.env, NRX_E_ARG, "nrx_dyn_solve_delay: needs an equation with delays, an initial state, times and an array");
    n = f->n;
    shortest = longest = f->tau[0];
    for (i = 0; i < f->n_delays; i++) {
        if (!nrxi_finite_f64(&f->tau[i]) || f->tau[i] <= 0)
            return nrxi_fail(&d.env, NRX_E_ARG, "nrx_dyn_solve_delay: tau[%zu] = %g, delays are positive", i, f->tau[i]);
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
    w.lag = f->n_delays <= (size_t)-1 / n ? (double *)nrxi_alloc(&d.env, f->n_delays * n, sizeof(double)) : NULL;
    breaks = (double *)nrxi_alloc(&d.env, 1024, sizeof(double));
    if (!w.lag || !breaks) { st = nrxi_fail(&d.env, NRX_E_NOMEM, "nrx_dyn_solve_delay: out of memory"); goto done; }
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
        if (s->t == s->tend && s->t < t[nt - 1]) { /* the derivative may jump here: evaluate afresh, keep the step size */
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
static void nrxi_etd_coefficients(double L, double h, double *e, double *e2, double *q, double *f1, double *f2, double *f3)
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
        return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_etdrk4: needs a linear part, a nonlinear term, a state, a step and every > 0");
    if (!nrxi_mul_ok(n, 20, &total) || !nrxi_mul_ok(count, every, &i)) return nrxi_fail(NULL, NRX_E_RANGE, "nrx_dyn_etdrk4: sizes overflow");
    total = i;
    c = (double *)nrxi_alloc(NULL, 20 * n, sizeof(double));
    if (!c) return nrxi_fail(NULL, NRX_E_NOMEM, "nrx_dyn_etdrk4: out of memory for n = %zu", n);
    nv = c + 6 * n; na = nv + 2 * n; nb = na + 2 * n; nc = nb + 2 * n; a = nc + 2 * n; b = a + 2 * n; w = b + 2 * n;
    for (i = 0; i < n; i++) nrxi_etd_coefficients(L[i], h, c + i, c + n + i, c + 2 * n + i, c + 3 * n + i, c + 4 * n + i, c + 5 * n + i);
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
            if (!nrxi_all_finite(v, 2 * n, NRX_F64)) { st = nrxi_fail(NULL, NRX_E_NUMERIC, "nrx_dyn_etdrk4: not finite at t = %g; reduce h", t + h); break; }
            memcpy(out + (step + 1) / every * 2 * n - 2 * n, v, 2 * n * sizeof(double));
        }
    }
    nrxi_free(NULL, c);
    return st;
}

typedef struct nrxi_dyn_ks { nrxi_fft_f64 plan; size_t n; double length, *u, *w, *work; } nrxi_dyn_ks;

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
    nrxi_irfft_run_f64(&q->plan, q->w, q->u, q->work);
    for (i = 0; i < n; i++) { double u = q->u[i] * scale; q->u[i] = u * u; }
    nrxi_rfft_run_f64(&q->plan, q->u, q->w, q->work);
    for (i = 0; i <= half; i++) {
        double k = 2 * NRX_PI / q->length * (double)i;
        int keep = 3 * i < n;
        nv[2 * i] = keep ? 0.5 * k * q->w[2 * i + 1] : 0.0;
        nv[2 * i + 1] = keep ? -0.5 * k * q->w[2 * i] : 0.0;
    }
    return NRX_OK;
}

NRX_DEF nrx_status nrx_dyn_kuramoto_sivashinsky(size_t n, double length, const double *u0, double h, size_t count,
                                                size_t every, double *out, const nrx_env *env)
{
    nrxi_dyn_ks q;
    double *mem, *L, *v, *modes;
    size_t i, half = n / 2, m = half + 1, total, work;
    nrx_status st;
    if (n < 4 || n % 2 || !u0 || !out || !(length > 0) || !(h > 0) || every == 0 || !nrxi_all_finite(u0, n, NRX_F64))
        return nrxi_fail(env, NRX_E_ARG, "nrx_dyn_kuramoto_sivashinsky: needs an even n >= 4, a length, a step and a finite field");
    memset(&q, 0, sizeof q);
    st = nrxi_fft_plan_f64(&q.plan, n, env);
    if (st != NRX_OK) return nrxi_fail(env, st, "nrx_dyn_kuramoto_sivashinsky: no FFT plan for n = %zu", n);
    work = nrxi_fft_work_f64(&q.plan);
    mem = NULL;
    if (nrxi_mul_ok(m, 2 * (count + 1), &total) && nrxi_add_ok(total, 8 * n + work + 16, &total))
        mem = (double *)nrxi_alloc(env, total, sizeof(double));
    if (!mem) { nrxi_fft_drop_f64(&q.plan); return nrxi_fail(env, NRX_E_NOMEM, "nrx_dyn_kuramoto_sivashinsky: out of memory"); }
    L = mem; q.u = L + m; q.w = q.u + n; v = q.w + 2 * m; q.work = v + 2 * m; modes = q.work + work;
    q.n = n;
    q.length = length;
    for (i = 0; i < m; i++) {
        double k = 2 * NRX_PI / length * (double)i;
        L[i] = k * k - k * k * k * k;
    }
    nrxi_rfft_run_f64(&q.plan, u0, v, q.work);
    st = nrx_dyn_etdrk4(m, L, nrxi_dyn_ks_n, &q, 0.0, h, count, every, v, modes);
    for (i = 0; st == NRX_OK && i < count; i++) {
        size_t j;
        memcpy(q.w, modes + i * 2 * m, 2 * m * sizeof(double));
        nrxi_irfft_run_f64(&q.plan, q.w, out + i * n, q.work);
        for (j = 0; j < n; j++) out[i * n + j] /= (double)n;
    }
    nrxi_fft_drop_f64(&q.plan);
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
        if ((st = w->f.f(w->f.user, t, a, fa)) != NRX_OK || (st = w->f.f(w->f.user, t, b, fb)) != NRX_OK) return st;
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

static nrx_status nrxi_dyn_rk4_stages(const nrx_dyn_parametric *f, const double *p, double t, double h, const double *y,
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
                                   const double *t, size_t substeps,
                                   nrx_status (*loss)(void *user, size_t i, const double *y, double *value, double *grad),
                                   void *loss_user, double *value, double *grad_y0, double *grad_p, const nrx_env *env)
{
    double *mem, *path, *k, *Y, *ak, *lam, *g;
    size_t n, i, j, m, l, total;
    nrx_status st = NRX_OK;
    static const double c[4] = {0.0, 0.5, 0.5, 1.0}, b[4] = {1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6};
    if (!f || !f->f || !f->vjp || f->n == 0 || !y0 || nt < 1 || !t || substeps == 0 || !loss || !value || (f->np && (!p || !grad_p)))
        return nrxi_fail(env, NRX_E_ARG, "nrx_dyn_adjoint: needs a field with vjp, times, substeps, a loss and output arrays");
    n = f->n;
    if (!nrxi_mul_ok(nt, substeps, &total) || !nrxi_mul_ok(total + 1, n, &total) || !nrxi_add_ok(total, 14 * n, &total))
        return nrxi_fail(env, NRX_E_RANGE, "nrx_dyn_adjoint: sizes overflow");
    mem = (double *)nrxi_alloc(env, total, sizeof(double));
    if (!mem) return nrxi_fail(env, NRX_E_NOMEM, "nrx_dyn_adjoint: out of memory");
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

/* ==================================================== the catalogue ========================================== */

/* Equations, parameters and starts as in the public dysts collection (Gilpin 2021) where it is right; exponents are recomputed.
   Differences: Lorenz63 has beta = 8/3, DoublePendulum is the Hamiltonian one, HenonHeiles8 and HenonHeiles6 start on chaotic
   orbits, SprottA and HenonHeiles start on regular ones. The Jacobians were derived symbolically and are checked against
   differences by the tests. */

static double nrxi_dyn_wrap(double a, double m) { return a - m * floor(a / m); }
static double nrxi_dyn_sign(double a) { return a > 0 ? 1.0 : -1.0; }

/* Field and Jacobian of an entry: NRXI_DYN_F(name) NRXI_Sn(states) NRXI_Km(parameters) statements NRXI_DYN_END. */
#define NRXI_DYN_F(id) static nrx_status nrxi_f_##id(void *user, double t, const double *in, double *out) \
    { const double *k_ = (const double *)user; (void)t; (void)k_;
#define NRXI_DYN_J(id) static nrx_status nrxi_j_##id(void *user, double t, const double *in, double *J) \
    { const double *k_ = (const double *)user; (void)t; (void)k_;
#define NRXI_DYN_END return NRX_OK; }
#define NRXI_DYN_V(name, from) const double name = from; (void)name;
#define NRXI_S1(a) NRXI_DYN_V(a, in[0])
#define NRXI_S2(a, b) NRXI_S1(a) NRXI_DYN_V(b, in[1])
#define NRXI_S3(a, b, c) NRXI_S2(a, b) NRXI_DYN_V(c, in[2])
#define NRXI_S4(a, b, c, d) NRXI_S3(a, b, c) NRXI_DYN_V(d, in[3])
#define NRXI_K1(a) NRXI_DYN_V(a, k_[0])
#define NRXI_K2(a, b) NRXI_K1(a) NRXI_DYN_V(b, k_[1])
#define NRXI_K3(a, b, c) NRXI_K2(a, b) NRXI_DYN_V(c, k_[2])
#define NRXI_K4(a, b, c, d) NRXI_K3(a, b, c) NRXI_DYN_V(d, k_[3])
#define NRXI_K5(a, b, c, d, e) NRXI_K4(a, b, c, d) NRXI_DYN_V(e, k_[4])
#define NRXI_K6(a, b, c, d, e, f) NRXI_K5(a, b, c, d, e) NRXI_DYN_V(f, k_[5])
#define NRXI_K8(a, b, c, d, e, f, g, h) NRXI_K6(a, b, c, d, e, f) NRXI_DYN_V(g, k_[6]) NRXI_DYN_V(h, k_[7])

NRXI_DYN_F(Lorenz) NRXI_S3(x, y, z) NRXI_K3(beta, rho, sigma)
    out[0] = sigma*(y - x); out[1] = x*(rho - z) - y; out[2] = x*y - beta*z;
NRXI_DYN_END
NRXI_DYN_J(Lorenz) NRXI_S3(x, y, z) NRXI_K3(beta, rho, sigma)
    (void)memset(J, 0, 9 * sizeof *J); J[0] = -sigma; J[1] = sigma; J[3] = rho - z; J[4] = -1.0; J[5] = -x;
    J[6] = y; J[7] = x; J[8] = -beta;
NRXI_DYN_END

NRXI_DYN_F(Rossler) NRXI_S3(x, y, z) NRXI_K3(a, b, c)
    out[0] = -y - z; out[1] = x + a*y; out[2] = b + z*(x - c);
NRXI_DYN_END
NRXI_DYN_J(Rossler) NRXI_S3(x, y, z) NRXI_K3(a, b, c)
    (void)memset(J, 0, 9 * sizeof *J); J[1] = -1.0; J[2] = -1.0; J[3] = 1.0; J[4] = a; J[6] = z;
    J[8] = -c + x;
NRXI_DYN_END

NRXI_DYN_F(Lorenz84) NRXI_S3(x, y, z) NRXI_K4(a, b, f, g)
    out[0] = -a*x - y*y - z*z + a*f; out[1] = -y + x*y - b*x*z + g; out[2] = -z + b*x*y + x*z;
NRXI_DYN_END
NRXI_DYN_J(Lorenz84) NRXI_S3(x, y, z) NRXI_K4(a, b, f, g)
    J[0] = -a; J[1] = -2.0*y; J[2] = -2.0*z; J[3] = -b*z + y; J[4] = x - 1.0; J[5] = -b*x; J[6] = b*y + z;
    J[7] = b*x; J[8] = x - 1.0;
NRXI_DYN_END

NRXI_DYN_F(Thomas) NRXI_S3(x, y, z) NRXI_K2(a, b)
    out[0] = -a*x + b*sin(y); out[1] = -a*y + b*sin(z); out[2] = -a*z + b*sin(x);
NRXI_DYN_END
NRXI_DYN_J(Thomas) NRXI_S3(x, y, z) NRXI_K2(a, b)
    (void)memset(J, 0, 9 * sizeof *J); J[0] = -a; J[1] = b*cos(y); J[4] = -a; J[5] = b*cos(z);
    J[6] = b*cos(x); J[8] = -a;
NRXI_DYN_END

NRXI_DYN_F(Halvorsen) NRXI_S3(x, y, z) NRXI_K2(a, b)
    out[0] = -a*x - b*(y + z) - y*y; out[1] = -a*y - b*(z + x) - z*z; out[2] = -a*z - b*(x + y) - x*x;
NRXI_DYN_END
NRXI_DYN_J(Halvorsen) NRXI_S3(x, y, z) NRXI_K2(a, b)
    J[0] = -a; J[1] = -b - 2.0*y; J[2] = -b; J[3] = -b; J[4] = -a; J[5] = -b - 2.0*z; J[6] = -b - 2.0*x;
    J[7] = -b; J[8] = -a;
NRXI_DYN_END

NRXI_DYN_F(Chen) NRXI_S3(x, y, z) NRXI_K3(a, b, c)
    out[0] = a*(y - x); out[1] = (c - a)*x - x*z + c*y; out[2] = x*y - b*z;
NRXI_DYN_END
NRXI_DYN_J(Chen) NRXI_S3(x, y, z) NRXI_K3(a, b, c)
    (void)memset(J, 0, 9 * sizeof *J); J[0] = -a; J[1] = a; J[3] = -a + c - z; J[4] = c; J[5] = -x; J[6] = y;
    J[7] = x; J[8] = -b;
NRXI_DYN_END

NRXI_DYN_F(ChenLee) NRXI_S3(x, y, z) NRXI_K3(a, b, c)
    out[0] = a*x - y*z; out[1] = b*y + x*z; out[2] = c*z + x*y/3.0;
NRXI_DYN_END
NRXI_DYN_J(ChenLee) NRXI_S3(x, y, z) NRXI_K3(a, b, c)
    J[0] = a; J[1] = -z; J[2] = -y; J[3] = z; J[4] = b; J[5] = x; J[6] = 0.3333333333333333*y;
    J[7] = 0.3333333333333333*x; J[8] = c;
NRXI_DYN_END

NRXI_DYN_F(LuChen) NRXI_S3(x, y, z) NRXI_K3(a, b, c)
    out[0] = a*(y - x); out[1] = -x*z + c*y; out[2] = x*y - b*z;
NRXI_DYN_END
NRXI_DYN_J(LuChen) NRXI_S3(x, y, z) NRXI_K3(a, b, c)
    (void)memset(J, 0, 9 * sizeof *J); J[0] = -a; J[1] = a; J[3] = -z; J[4] = c; J[5] = -x; J[6] = y;
    J[7] = x; J[8] = -b;
NRXI_DYN_END

NRXI_DYN_F(Chua) NRXI_S3(x, y, z) NRXI_K4(alpha, beta, m0, m1)
    out[0] = alpha*(y - x - m1*x - 0.5*(m0 - m1)*(fabs(x + 1.0) - fabs(x - 1.0))); out[1] = x - y + z;
    out[2] = -beta*y;
NRXI_DYN_END
NRXI_DYN_J(Chua) NRXI_S3(x, y, z) NRXI_K4(alpha, beta, m0, m1)
    (void)memset(J, 0, 9 * sizeof *J);
    J[0] = alpha*(-m1 - (0.5*m0 - 0.5*m1)*(-nrxi_dyn_sign(x - 1.0) + nrxi_dyn_sign(x + 1.0)) - 1.0);
    J[1] = alpha; J[3] = 1.0; J[4] = -1.0; J[5] = 1.0; J[7] = -beta;
NRXI_DYN_END

NRXI_DYN_F(Dadras) NRXI_S3(x, y, z) NRXI_K5(c, e, o, p, r)
    out[0] = y - p*x + o*y*z; out[1] = r*y - x*z + z; out[2] = c*x*y - e*z;
NRXI_DYN_END
NRXI_DYN_J(Dadras) NRXI_S3(x, y, z) NRXI_K5(c, e, o, p, r)
    J[0] = -p; J[1] = o*z + 1.0; J[2] = o*y; J[3] = -z; J[4] = r; J[5] = 1.0 - x; J[6] = c*y; J[7] = c*x;
    J[8] = -e;
NRXI_DYN_END

NRXI_DYN_F(Duffing) NRXI_S3(x, y, z) NRXI_K5(alpha, beta, delta, gamma, omega)
    out[0] = y; out[1] = -delta*y - beta*x - alpha*x*x*x + gamma*cos(z); out[2] = omega;
NRXI_DYN_END
NRXI_DYN_J(Duffing) NRXI_S3(x, y, z) NRXI_K5(alpha, beta, delta, gamma, omega)
    (void)memset(J, 0, 9 * sizeof *J); J[1] = 1.0; J[3] = -3.0*alpha*(x*x) - beta; J[4] = -delta;
    J[5] = -gamma*sin(z);
NRXI_DYN_END

NRXI_DYN_F(ForcedVanDerPol) NRXI_S3(x, y, z) NRXI_K3(a, mu, w)
    out[0] = y; out[1] = mu*(1.0 - x*x)*y - x + a*sin(z); out[2] = w;
NRXI_DYN_END
NRXI_DYN_J(ForcedVanDerPol) NRXI_S3(x, y, z) NRXI_K3(a, mu, w)
    (void)memset(J, 0, 9 * sizeof *J); J[1] = 1.0; J[3] = -2.0*mu*x*y - 1.0; J[4] = mu*(1.0 - (x*x));
    J[5] = a*cos(z);
NRXI_DYN_END

NRXI_DYN_F(ForcedFitzHughNagumo) NRXI_S3(v, w, z) NRXI_K6(a, b, curr, f, gamma, omega)
    out[0] = v - v*v*v/3.0 - w + curr + f*sin(z); out[1] = gamma*(v + a - b*w); out[2] = omega;
NRXI_DYN_END
NRXI_DYN_J(ForcedFitzHughNagumo) NRXI_S3(v, w, z) NRXI_K6(a, b, curr, f, gamma, omega)
    (void)memset(J, 0, 9 * sizeof *J); J[0] = 1.0 - 1.0*(v*v); J[1] = -1.0; J[2] = f*cos(z); J[3] = gamma;
    J[4] = -b*gamma;
NRXI_DYN_END

NRXI_DYN_F(HenonHeiles) NRXI_S4(x, y, px, py) NRXI_K1(lam)
    out[0] = px; out[1] = py; out[2] = -x - 2.0*lam*x*y; out[3] = -y - lam*x*x + lam*y*y;
NRXI_DYN_END
NRXI_DYN_J(HenonHeiles) NRXI_S4(x, y, px, py) NRXI_K1(lam)
    (void)memset(J, 0, 16 * sizeof *J); J[2] = 1.0; J[7] = 1.0; J[8] = -2.0*lam*y - 1.0; J[9] = -2.0*lam*x;
    J[12] = -2.0*lam*x; J[13] = 2.0*lam*y - 1.0;
NRXI_DYN_END

NRXI_DYN_F(NoseHoover) NRXI_S3(x, y, z) NRXI_K1(a)
    out[0] = y; out[1] = -x + y*z; out[2] = a - y*y;
NRXI_DYN_END
NRXI_DYN_J(NoseHoover) NRXI_S3(x, y, z) NRXI_K1(a)
    (void)memset(J, 0, 9 * sizeof *J); J[1] = 1.0; J[3] = -1.0; J[4] = z; J[5] = y; J[7] = -2.0*y;
NRXI_DYN_END

NRXI_DYN_F(HastingsPowell) NRXI_S3(x, y, z) NRXI_K6(a1, a2, b1, b2, d1, d2)
    out[0] = x*(1.0 - x) - a1*x*y/(1.0 + b1*x); out[1] = a1*x*y/(1.0 + b1*x) - a2*y*z/(1.0 + b2*y) - d1*y;
    out[2] = a2*y*z/(1.0 + b2*y) - d2*z;
NRXI_DYN_END
NRXI_DYN_J(HastingsPowell) NRXI_S3(x, y, z) NRXI_K6(a1, a2, b1, b2, d1, d2)
    (void)memset(J, 0, 9 * sizeof *J);
    J[0] = a1*b1*x*y/((b1*x + 1.0)*(b1*x + 1.0)) - a1*y/(b1*x + 1.0) - 2.0*x + 1.0; J[1] = -a1*x/(b1*x + 1.0);
    J[3] = -a1*b1*x*y/((b1*x + 1.0)*(b1*x + 1.0)) + a1*y/(b1*x + 1.0);
    J[4] = a1*x/(b1*x + 1.0) + a2*b2*y*z/((b2*y + 1.0)*(b2*y + 1.0)) - a2*z/(b2*y + 1.0) - d1;
    J[5] = -a2*y/(b2*y + 1.0); J[7] = -a2*b2*y*z/((b2*y + 1.0)*(b2*y + 1.0)) + a2*z/(b2*y + 1.0);
    J[8] = a2*y/(b2*y + 1.0) - d2;
NRXI_DYN_END

NRXI_DYN_F(RabinovichFabrikant) NRXI_S3(x, y, z) NRXI_K2(a, g)
    out[0] = y*(z - 1.0 + x*x) + g*x; out[1] = x*(3.0*z + 1.0 - x*x) + g*y; out[2] = -2.0*z*(a + x*y);
NRXI_DYN_END
NRXI_DYN_J(RabinovichFabrikant) NRXI_S3(x, y, z) NRXI_K2(a, g)
    J[0] = g + 2.0*x*y; J[1] = (x*x) + z - 1.0; J[2] = y; J[3] = -3.0*(x*x) + 3.0*z + 1.0; J[4] = g;
    J[5] = 3.0*x; J[6] = -2.0*y*z; J[7] = -2.0*x*z; J[8] = -2.0*a - 2.0*x*y;
NRXI_DYN_END

NRXI_DYN_F(Rucklidge) NRXI_S3(x, y, z) NRXI_K2(a, b)
    out[0] = -a*x + b*y - y*z; out[1] = x; out[2] = -z + y*y;
NRXI_DYN_END
NRXI_DYN_J(Rucklidge) NRXI_S3(x, y, z) NRXI_K2(a, b)
    (void)memset(J, 0, 9 * sizeof *J); J[0] = -a; J[1] = b - z; J[2] = -y; J[3] = 1.0; J[7] = 2.0*y;
    J[8] = -1.0;
NRXI_DYN_END

NRXI_DYN_F(Aizawa) NRXI_S3(x, y, z) NRXI_K6(a, b, c, d, e, f)
    out[0] = (z - b)*x - d*y; out[1] = d*x + (z - b)*y;
    out[2] = c + a*z - z*z*z/3.0 - x*x - y*y - e*z*(x*x + y*y) + f*z*x*x*x;
NRXI_DYN_END
NRXI_DYN_J(Aizawa) NRXI_S3(x, y, z) NRXI_K6(a, b, c, d, e, f)
    J[0] = -b + z; J[1] = -d; J[2] = x; J[3] = d; J[4] = -b + z; J[5] = y;
    J[6] = -2.0*e*x*z + 3.0*f*(x*x)*z - 2.0*x; J[7] = -2.0*e*y*z - 2.0*y;
    J[8] = a - e*((x*x) + (y*y)) + f*(x*x*x) - 1.0*(z*z);
NRXI_DYN_END

NRXI_DYN_F(Arneodo) NRXI_S3(x, y, z) NRXI_K4(a, b, c, d)
    out[0] = y; out[1] = z; out[2] = -a*x - b*y - c*z + d*x*x*x;
NRXI_DYN_END
NRXI_DYN_J(Arneodo) NRXI_S3(x, y, z) NRXI_K4(a, b, c, d)
    (void)memset(J, 0, 9 * sizeof *J); J[1] = 1.0; J[5] = 1.0; J[6] = -a + 3.0*d*(x*x); J[7] = -b; J[8] = -c;
NRXI_DYN_END

NRXI_DYN_F(GenesioTesi) NRXI_S3(x, y, z) NRXI_K3(a, b, c)
    out[0] = y; out[1] = z; out[2] = -c*x - b*y - a*z + x*x;
NRXI_DYN_END
NRXI_DYN_J(GenesioTesi) NRXI_S3(x, y, z) NRXI_K3(a, b, c)
    (void)memset(J, 0, 9 * sizeof *J); J[1] = 1.0; J[5] = 1.0; J[6] = -c + 2.0*x; J[7] = -b; J[8] = -a;
NRXI_DYN_END

NRXI_DYN_F(Hadley) NRXI_S3(x, y, z) NRXI_K4(a, b, f, g)
    out[0] = -y*y - z*z - a*x + a*f; out[1] = x*y - b*x*z - y + g; out[2] = b*x*y + x*z - z;
NRXI_DYN_END
NRXI_DYN_J(Hadley) NRXI_S3(x, y, z) NRXI_K4(a, b, f, g)
    J[0] = -a; J[1] = -2.0*y; J[2] = -2.0*z; J[3] = -b*z + y; J[4] = x - 1.0; J[5] = -b*x; J[6] = b*y + z;
    J[7] = b*x; J[8] = x - 1.0;
NRXI_DYN_END

NRXI_DYN_F(RikitakeDynamo) NRXI_S3(x, y, z) NRXI_K2(a, mu)
    out[0] = -mu*x + y*z; out[1] = -mu*y - a*x + x*z; out[2] = 1.0 - x*y;
NRXI_DYN_END
NRXI_DYN_J(RikitakeDynamo) NRXI_S3(x, y, z) NRXI_K2(a, mu)
    (void)memset(J, 0, 9 * sizeof *J); J[0] = -mu; J[1] = z; J[2] = y; J[3] = -a + z; J[4] = -mu; J[5] = x;
    J[6] = -y; J[7] = -x;
NRXI_DYN_END

NRXI_DYN_F(ShimizuMorioka) NRXI_S3(x, y, z) NRXI_K2(a, b)
    out[0] = y; out[1] = x - a*y - x*z; out[2] = -b*z + x*x;
NRXI_DYN_END
NRXI_DYN_J(ShimizuMorioka) NRXI_S3(x, y, z) NRXI_K2(a, b)
    (void)memset(J, 0, 9 * sizeof *J); J[1] = 1.0; J[3] = 1.0 - z; J[4] = -a; J[5] = -x; J[6] = 2.0*x;
    J[8] = -b;
NRXI_DYN_END

NRXI_DYN_F(NewtonLeipnik) NRXI_S3(x, y, z) NRXI_K2(a, b)
    out[0] = -a*x + y + 10.0*y*z; out[1] = -x - 0.4*y + 5.0*x*z; out[2] = b*z - 5.0*x*y;
NRXI_DYN_END
NRXI_DYN_J(NewtonLeipnik) NRXI_S3(x, y, z) NRXI_K2(a, b)
    J[0] = -a; J[1] = 10.0*z + 1.0; J[2] = 10.0*y; J[3] = 5.0*z - 1.0; J[4] = -0.4; J[5] = 5.0*x;
    J[6] = -5.0*y; J[7] = -5.0*x; J[8] = b;
NRXI_DYN_END

NRXI_DYN_F(BurkeShaw) NRXI_S3(x, y, z) NRXI_K2(e, n)
    out[0] = -n*(x + y); out[1] = y - n*x*z; out[2] = n*x*y + e;
NRXI_DYN_END
NRXI_DYN_J(BurkeShaw) NRXI_S3(x, y, z) NRXI_K2(e, n)
    (void)memset(J, 0, 9 * sizeof *J); J[0] = -n; J[1] = -n; J[3] = -n*z; J[4] = 1.0; J[5] = -n*x; J[6] = n*y;
    J[7] = n*x;
NRXI_DYN_END

NRXI_DYN_F(MooreSpiegel) NRXI_S3(x, y, z) NRXI_K3(a, b, eps)
    out[0] = y; out[1] = a*z; out[2] = -z + eps*y - y*x*x - b*x;
NRXI_DYN_END
NRXI_DYN_J(MooreSpiegel) NRXI_S3(x, y, z) NRXI_K3(a, b, eps)
    (void)memset(J, 0, 9 * sizeof *J); J[1] = 1.0; J[5] = a; J[6] = -b - 2.0*x*y; J[7] = eps - (x*x);
    J[8] = -1.0;
NRXI_DYN_END

NRXI_DYN_F(Finance) NRXI_S3(x, y, z) NRXI_K3(a, b, c)
    out[0] = (1.0/b - a)*x + z + x*y; out[1] = -b*y - x*x; out[2] = -x - c*z;
NRXI_DYN_END
NRXI_DYN_J(Finance) NRXI_S3(x, y, z) NRXI_K3(a, b, c)
    (void)memset(J, 0, 9 * sizeof *J); J[0] = -a + y + 1.0/b; J[1] = x; J[2] = 1.0; J[3] = -2.0*x; J[4] = -b;
    J[6] = -1.0; J[8] = -c;
NRXI_DYN_END

NRXI_DYN_F(VallisElNino) NRXI_S3(x, y, z) NRXI_K3(b, c, p)
    out[0] = b*y - c*(x + p); out[1] = -y + x*z; out[2] = -z - x*y + 1.0;
NRXI_DYN_END
NRXI_DYN_J(VallisElNino) NRXI_S3(x, y, z) NRXI_K3(b, c, p)
    (void)memset(J, 0, 9 * sizeof *J); J[0] = -c; J[1] = b; J[3] = z; J[4] = -1.0; J[5] = x; J[6] = -y;
    J[7] = -x; J[8] = -1.0;
NRXI_DYN_END

NRXI_DYN_F(WangSun) NRXI_S3(x, y, z) NRXI_K6(a, b, d, e, f, q)
    out[0] = a*x + q*y*z; out[1] = b*x + d*y - x*z; out[2] = e*z + f*x*y;
NRXI_DYN_END
NRXI_DYN_J(WangSun) NRXI_S3(x, y, z) NRXI_K6(a, b, d, e, f, q)
    J[0] = a; J[1] = q*z; J[2] = q*y; J[3] = b - z; J[4] = d; J[5] = -x; J[6] = f*y; J[7] = f*x; J[8] = e;
NRXI_DYN_END

NRXI_DYN_F(Sakarya) NRXI_S3(x, y, z) NRXI_K8(a, b, c, h, p, q, r, s)
    out[0] = a*x + h*y + s*y*z; out[1] = -b*y - p*x + q*x*z; out[2] = c*z - r*x*y;
NRXI_DYN_END
NRXI_DYN_J(Sakarya) NRXI_S3(x, y, z) NRXI_K8(a, b, c, h, p, q, r, s)
    J[0] = a; J[1] = h + s*z; J[2] = s*y; J[3] = -p + q*z; J[4] = -b; J[5] = q*x; J[6] = -r*y; J[7] = -r*x;
    J[8] = c;
NRXI_DYN_END

NRXI_DYN_F(ArnoldBeltramiChildress) NRXI_S3(x, y, z) NRXI_K3(a, b, c)
    out[0] = a*sin(z) + c*cos(y); out[1] = b*sin(x) + a*cos(z); out[2] = c*sin(y) + b*cos(x);
NRXI_DYN_END
NRXI_DYN_J(ArnoldBeltramiChildress) NRXI_S3(x, y, z) NRXI_K3(a, b, c)
    (void)memset(J, 0, 9 * sizeof *J); J[1] = -c*sin(y); J[2] = a*cos(z); J[3] = b*cos(x); J[5] = -a*sin(z);
    J[6] = -b*sin(x); J[7] = c*cos(y);
NRXI_DYN_END

NRXI_DYN_F(LorenzStenflo) NRXI_S4(x, y, z, w) NRXI_K4(a, b, c, d)
    out[0] = a*(y - x) + d*w; out[1] = x*(c - z) - y; out[2] = x*y - b*z; out[3] = -x - a*w;
NRXI_DYN_END
NRXI_DYN_J(LorenzStenflo) NRXI_S4(x, y, z, w) NRXI_K4(a, b, c, d)
    (void)memset(J, 0, 16 * sizeof *J); J[0] = -a; J[1] = a; J[3] = d; J[4] = c - z; J[5] = -1.0; J[6] = -x;
    J[8] = y; J[9] = x; J[10] = -b; J[12] = -1.0; J[15] = -a;
NRXI_DYN_END

NRXI_DYN_F(HyperRossler) NRXI_S4(x, y, z, w) NRXI_K4(a, b, c, d)
    out[0] = -y - z; out[1] = x + a*y + w; out[2] = b + x*z; out[3] = -c*z + d*w;
NRXI_DYN_END
NRXI_DYN_J(HyperRossler) NRXI_S4(x, y, z, w) NRXI_K4(a, b, c, d)
    (void)memset(J, 0, 16 * sizeof *J); J[1] = -1.0; J[2] = -1.0; J[4] = 1.0; J[5] = a; J[7] = 1.0; J[8] = z;
    J[10] = x; J[14] = -c; J[15] = d;
NRXI_DYN_END

NRXI_DYN_F(HyperLorenz) NRXI_S4(x, y, z, w) NRXI_K4(a, b, c, d)
    out[0] = a*(y - x) + w; out[1] = c*x - x*z - y; out[2] = x*y - b*z; out[3] = d*w - x*z;
NRXI_DYN_END
NRXI_DYN_J(HyperLorenz) NRXI_S4(x, y, z, w) NRXI_K4(a, b, c, d)
    (void)memset(J, 0, 16 * sizeof *J); J[0] = -a; J[1] = a; J[3] = 1.0; J[4] = c - z; J[5] = -1.0; J[6] = -x;
    J[8] = y; J[9] = x; J[10] = -b; J[12] = -z; J[14] = -x; J[15] = d;
NRXI_DYN_END

NRXI_DYN_F(NuclearQuadrupole) NRXI_S4(q1, q2, p1, p2) NRXI_K3(a, b, d)
    out[0] = a*p1; out[1] = a*p2;
    out[2] = -a*q1 + 2.1213203435596424*b*(q1*q1 - q2*q2) - d*q1*(q1*q1 + q2*q2);
    out[3] = -a*q2 - 4.2426406871192848*b*q1*q2 - d*q2*(q1*q1 + q2*q2);
NRXI_DYN_END
NRXI_DYN_J(NuclearQuadrupole) NRXI_S4(q1, q2, p1, p2) NRXI_K3(a, b, d)
    (void)memset(J, 0, 16 * sizeof *J); J[2] = a; J[7] = a;
    J[8] = -a + 4.242640687119285*b*q1 - 2.0*d*(q1*q1) - d*((q1*q1) + (q2*q2));
    J[9] = -4.242640687119285*b*q2 - 2.0*d*q1*q2; J[12] = -4.242640687119285*b*q2 - 2.0*d*q1*q2;
    J[13] = -a - 4.242640687119285*b*q1 - 2.0*d*(q2*q2) - d*((q1*q1) + (q2*q2));
NRXI_DYN_END

NRXI_DYN_F(SprottA) NRXI_S3(x, y, z)
    out[0] = y; out[1] = -x + y*z; out[2] = 1.0 - y*y;
NRXI_DYN_END
NRXI_DYN_J(SprottA) NRXI_S3(x, y, z)
    (void)memset(J, 0, 9 * sizeof *J); J[1] = 1.0; J[3] = -1.0; J[4] = z; J[5] = y; J[7] = -2.0*y;
NRXI_DYN_END

NRXI_DYN_F(SprottB) NRXI_S3(x, y, z)
    out[0] = y*z; out[1] = x - y; out[2] = 1.0 - x*y;
NRXI_DYN_END
NRXI_DYN_J(SprottB) NRXI_S3(x, y, z)
    (void)memset(J, 0, 9 * sizeof *J); J[1] = z; J[2] = y; J[3] = 1.0; J[4] = -1.0; J[6] = -y; J[7] = -x;
NRXI_DYN_END

NRXI_DYN_F(SprottC) NRXI_S3(x, y, z)
    out[0] = y*z; out[1] = x - y; out[2] = 1.0 - x*x;
NRXI_DYN_END
NRXI_DYN_J(SprottC) NRXI_S3(x, y, z)
    (void)memset(J, 0, 9 * sizeof *J); J[1] = z; J[2] = y; J[3] = 1.0; J[4] = -1.0; J[6] = -2.0*x;
NRXI_DYN_END

NRXI_DYN_F(SprottD) NRXI_S3(x, y, z)
    out[0] = -y; out[1] = x + z; out[2] = x*z + 3.0*y*y;
NRXI_DYN_END
NRXI_DYN_J(SprottD) NRXI_S3(x, y, z)
    (void)memset(J, 0, 9 * sizeof *J); J[1] = -1.0; J[3] = 1.0; J[5] = 1.0; J[6] = z; J[7] = 6.0*y; J[8] = x;
NRXI_DYN_END

NRXI_DYN_F(SprottE) NRXI_S3(x, y, z)
    out[0] = y*z; out[1] = x*x - y; out[2] = 1.0 - 4.0*x;
NRXI_DYN_END
NRXI_DYN_J(SprottE) NRXI_S3(x, y, z)
    (void)memset(J, 0, 9 * sizeof *J); J[1] = z; J[2] = y; J[3] = 2.0*x; J[4] = -1.0; J[6] = -4.0;
NRXI_DYN_END

NRXI_DYN_F(SprottF) NRXI_S3(x, y, z) NRXI_K1(a)
    out[0] = y + z; out[1] = -x + a*y; out[2] = x*x - z;
NRXI_DYN_END
NRXI_DYN_J(SprottF) NRXI_S3(x, y, z) NRXI_K1(a)
    (void)memset(J, 0, 9 * sizeof *J); J[1] = 1.0; J[2] = 1.0; J[3] = -1.0; J[4] = a; J[6] = 2.0*x;
    J[8] = -1.0;
NRXI_DYN_END

NRXI_DYN_F(SprottG) NRXI_S3(x, y, z) NRXI_K1(a)
    out[0] = a*x + z; out[1] = x*z - y; out[2] = -x + y;
NRXI_DYN_END
NRXI_DYN_J(SprottG) NRXI_S3(x, y, z) NRXI_K1(a)
    (void)memset(J, 0, 9 * sizeof *J); J[0] = a; J[2] = 1.0; J[3] = z; J[4] = -1.0; J[5] = x; J[6] = -1.0;
    J[7] = 1.0;
NRXI_DYN_END

NRXI_DYN_F(SprottH) NRXI_S3(x, y, z) NRXI_K1(a)
    out[0] = -y + z*z; out[1] = x + a*y; out[2] = x - z;
NRXI_DYN_END
NRXI_DYN_J(SprottH) NRXI_S3(x, y, z) NRXI_K1(a)
    (void)memset(J, 0, 9 * sizeof *J); J[1] = -1.0; J[2] = 2.0*z; J[3] = 1.0; J[4] = a; J[6] = 1.0;
    J[8] = -1.0;
NRXI_DYN_END

NRXI_DYN_F(SprottI) NRXI_S3(x, y, z) NRXI_K1(a)
    out[0] = -a*y; out[1] = x + z; out[2] = x + y*y - z;
NRXI_DYN_END
NRXI_DYN_J(SprottI) NRXI_S3(x, y, z) NRXI_K1(a)
    (void)memset(J, 0, 9 * sizeof *J); J[1] = -a; J[3] = 1.0; J[5] = 1.0; J[6] = 1.0; J[7] = 2.0*y;
    J[8] = -1.0;
NRXI_DYN_END

NRXI_DYN_F(SprottJ) NRXI_S3(x, y, z)
    out[0] = 2.0*z; out[1] = -2.0*y + z; out[2] = -x + y + y*y;
NRXI_DYN_END
NRXI_DYN_J(SprottJ) NRXI_S3(x, y, z)
    (void)memset(J, 0, 9 * sizeof *J); J[2] = 2.0; J[4] = -2.0; J[5] = 1.0; J[6] = -1.0; J[7] = 2.0*y + 1.0;
NRXI_DYN_END

NRXI_DYN_F(SprottK) NRXI_S3(x, y, z) NRXI_K1(a)
    out[0] = x*y - z; out[1] = x - y; out[2] = x + a*z;
NRXI_DYN_END
NRXI_DYN_J(SprottK) NRXI_S3(x, y, z) NRXI_K1(a)
    (void)memset(J, 0, 9 * sizeof *J); J[0] = y; J[1] = x; J[2] = -1.0; J[3] = 1.0; J[4] = -1.0; J[6] = 1.0;
    J[8] = a;
NRXI_DYN_END

NRXI_DYN_F(SprottL) NRXI_S3(x, y, z) NRXI_K2(a, b)
    out[0] = y + b*z; out[1] = a*x*x - y; out[2] = 1.0 - x;
NRXI_DYN_END
NRXI_DYN_J(SprottL) NRXI_S3(x, y, z) NRXI_K2(a, b)
    (void)memset(J, 0, 9 * sizeof *J); J[1] = 1.0; J[2] = b; J[3] = 2.0*a*x; J[4] = -1.0; J[6] = -1.0;
NRXI_DYN_END

NRXI_DYN_F(SprottM) NRXI_S3(x, y, z) NRXI_K1(a)
    out[0] = -z; out[1] = -x*x - y; out[2] = a + a*x + y;
NRXI_DYN_END
NRXI_DYN_J(SprottM) NRXI_S3(x, y, z) NRXI_K1(a)
    (void)memset(J, 0, 9 * sizeof *J); J[2] = -1.0; J[3] = -2.0*x; J[4] = -1.0; J[6] = a; J[7] = 1.0;
NRXI_DYN_END

NRXI_DYN_F(SprottN) NRXI_S3(x, y, z)
    out[0] = -2.0*y; out[1] = x + z*z; out[2] = 1.0 + y - 2.0*z;
NRXI_DYN_END
NRXI_DYN_J(SprottN) NRXI_S3(x, y, z)
    (void)memset(J, 0, 9 * sizeof *J); J[1] = -2.0; J[3] = 1.0; J[5] = 2.0*z; J[7] = 1.0; J[8] = -2.0;
NRXI_DYN_END

NRXI_DYN_F(SprottO) NRXI_S3(x, y, z) NRXI_K1(a)
    out[0] = y; out[1] = x - z; out[2] = x + x*z + a*y;
NRXI_DYN_END
NRXI_DYN_J(SprottO) NRXI_S3(x, y, z) NRXI_K1(a)
    (void)memset(J, 0, 9 * sizeof *J); J[1] = 1.0; J[3] = 1.0; J[5] = -1.0; J[6] = z + 1.0; J[7] = a;
    J[8] = x;
NRXI_DYN_END

NRXI_DYN_F(SprottP) NRXI_S3(x, y, z) NRXI_K1(a)
    out[0] = a*y + z; out[1] = -x + y*y; out[2] = x + y;
NRXI_DYN_END
NRXI_DYN_J(SprottP) NRXI_S3(x, y, z) NRXI_K1(a)
    (void)memset(J, 0, 9 * sizeof *J); J[1] = a; J[2] = 1.0; J[3] = -1.0; J[4] = 2.0*y; J[6] = 1.0;
    J[7] = 1.0;
NRXI_DYN_END

NRXI_DYN_F(SprottQ) NRXI_S3(x, y, z) NRXI_K2(a, b)
    out[0] = -z; out[1] = x - y; out[2] = a*x + y*y + b*z;
NRXI_DYN_END
NRXI_DYN_J(SprottQ) NRXI_S3(x, y, z) NRXI_K2(a, b)
    (void)memset(J, 0, 9 * sizeof *J); J[2] = -1.0; J[3] = 1.0; J[4] = -1.0; J[6] = a; J[7] = 2.0*y; J[8] = b;
NRXI_DYN_END

NRXI_DYN_F(SprottR) NRXI_S3(x, y, z) NRXI_K2(a, b)
    out[0] = a - y; out[1] = b + z; out[2] = x*y - z;
NRXI_DYN_END
NRXI_DYN_J(SprottR) NRXI_S3(x, y, z) NRXI_K2(a, b)
    (void)memset(J, 0, 9 * sizeof *J); J[1] = -1.0; J[5] = 1.0; J[6] = y; J[7] = x; J[8] = -1.0;
NRXI_DYN_END

NRXI_DYN_F(SprottS) NRXI_S3(x, y, z)
    out[0] = -x - 4.0*y; out[1] = x + z*z; out[2] = 1.0 + x;
NRXI_DYN_END
NRXI_DYN_J(SprottS) NRXI_S3(x, y, z)
    (void)memset(J, 0, 9 * sizeof *J); J[0] = -1.0; J[1] = -4.0; J[3] = 1.0; J[5] = 2.0*z; J[6] = 1.0;
NRXI_DYN_END

NRXI_DYN_F(SprottJerk) NRXI_S3(x, y, z) NRXI_K1(mu)
    out[0] = y; out[1] = z; out[2] = -x + y*y - mu*z;
NRXI_DYN_END
NRXI_DYN_J(SprottJerk) NRXI_S3(x, y, z) NRXI_K1(mu)
    (void)memset(J, 0, 9 * sizeof *J); J[1] = 1.0; J[5] = 1.0; J[6] = -1.0; J[7] = 2.0*y; J[8] = -mu;
NRXI_DYN_END

NRXI_DYN_F(DoublePendulum) NRXI_S4(a, b, p, q) NRXI_K1(g)
    const double c = cos(a - b), s = sin(a - b), D = 1.0 + s*s, h1 = p*q*s/D;
    const double h2 = (p*p + 2.0*q*q - 2.0*p*q*c)*sin(2.0*(a - b))/(2.0*D*D); out[0] = (p - q*c)/D;
    out[1] = (2.0*q - p*c)/D; out[2] = -2.0*g*sin(a) - h1 + h2; out[3] = -g*sin(b) + h1 - h2;
NRXI_DYN_END
NRXI_DYN_J(DoublePendulum) NRXI_S4(a, b, p, q) NRXI_K1(g)
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
    J[14] = v26; J[15] = v27;
NRXI_DYN_END

NRXI_DYN_F(HarmonicOscillator) NRXI_S2(x, v) NRXI_K1(omega)
    out[0] = v; out[1] = -omega*omega*x;
NRXI_DYN_END
NRXI_DYN_J(HarmonicOscillator) NRXI_S2(x, v) NRXI_K1(omega)
    (void)memset(J, 0, 4 * sizeof *J); J[1] = 1.0; J[2] = -(omega*omega);
NRXI_DYN_END

NRXI_DYN_F(DampedOscillator) NRXI_S2(x, v) NRXI_K1(gamma)
    out[0] = v; out[1] = -gamma*v - x;
NRXI_DYN_END
NRXI_DYN_J(DampedOscillator) NRXI_S2(x, v) NRXI_K1(gamma)
    (void)memset(J, 0, 4 * sizeof *J); J[1] = 1.0; J[2] = -1.0; J[3] = -gamma;
NRXI_DYN_END

NRXI_DYN_F(Pendulum) NRXI_S2(x, v)
    out[0] = v; out[1] = -sin(x);
NRXI_DYN_END
NRXI_DYN_J(Pendulum) NRXI_S2(x, v)
    (void)memset(J, 0, 4 * sizeof *J); J[1] = 1.0; J[2] = -cos(x);
NRXI_DYN_END

NRXI_DYN_F(LotkaVolterra) NRXI_S2(x, y) NRXI_K4(a, b, c, d)
    out[0] = x*(a - b*y); out[1] = y*(c*x - d);
NRXI_DYN_END
NRXI_DYN_J(LotkaVolterra) NRXI_S2(x, y) NRXI_K4(a, b, c, d)
    J[0] = a - b*y; J[1] = -b*x; J[2] = c*y; J[3] = c*x - d;
NRXI_DYN_END

NRXI_DYN_F(VanDerPol) NRXI_S2(x, v) NRXI_K1(mu)
    out[0] = v; out[1] = mu*(1.0 - x*x)*v - x;
NRXI_DYN_END
NRXI_DYN_J(VanDerPol) NRXI_S2(x, v) NRXI_K1(mu)
    (void)memset(J, 0, 4 * sizeof *J); J[1] = 1.0; J[2] = -2.0*mu*v*x - 1.0; J[3] = mu*(1.0 - (x*x));
NRXI_DYN_END

NRXI_DYN_F(RigidBody) NRXI_S3(x, y, z) NRXI_K3(a, b, c)
    out[0] = (b - c)/(b*c)*y*z; out[1] = (c - a)/(c*a)*z*x; out[2] = (a - b)/(a*b)*x*y;
NRXI_DYN_END
NRXI_DYN_J(RigidBody) NRXI_S3(x, y, z) NRXI_K3(a, b, c)
    (void)memset(J, 0, 9 * sizeof *J); J[1] = z*(b - c)/(b*c); J[2] = y*(b - c)/(b*c);
    J[3] = z*(-a + c)/(a*c); J[5] = x*(-a + c)/(a*c); J[6] = y*(a - b)/(a*b); J[7] = x*(a - b)/(a*b);
NRXI_DYN_END

NRXI_DYN_F(Kepler) NRXI_S4(x, y, px, py)
    out[0] = px; out[1] = py; out[2] = -x/((x*x + y*y)*sqrt(x*x + y*y));
    out[3] = -y/((x*x + y*y)*sqrt(x*x + y*y));
NRXI_DYN_END
NRXI_DYN_J(Kepler) NRXI_S4(x, y, px, py)
    (void)memset(J, 0, 16 * sizeof *J); J[2] = 1.0; J[7] = 1.0;
    J[8] = 3.0*(x*x)/pow((x*x) + (y*y), 5.0/2.0) - 1.0/pow((x*x) + (y*y), 3.0/2.0);
    J[9] = 3.0*x*y/pow((x*x) + (y*y), 5.0/2.0); J[12] = 3.0*x*y/pow((x*x) + (y*y), 5.0/2.0);
    J[13] = 3.0*(y*y)/pow((x*x) + (y*y), 5.0/2.0) - 1.0/pow((x*x) + (y*y), 3.0/2.0);
NRXI_DYN_END

NRXI_DYN_F(FitzHughNagumo) NRXI_S2(v, w) NRXI_K4(a, b, curr, gamma)
    out[0] = v - v*v*v/3.0 - w + curr; out[1] = gamma*(v + a - b*w);
NRXI_DYN_END
NRXI_DYN_J(FitzHughNagumo) NRXI_S2(v, w) NRXI_K4(a, b, curr, gamma)
    J[0] = 1.0 - 1.0*(v*v); J[1] = -1.0; J[2] = gamma; J[3] = -b*gamma;
NRXI_DYN_END

NRXI_DYN_F(Brusselator) NRXI_S2(x, y) NRXI_K2(a, b)
    out[0] = a + x*x*y - (b + 1.0)*x; out[1] = b*x - x*x*y;
NRXI_DYN_END
NRXI_DYN_J(Brusselator) NRXI_S2(x, y) NRXI_K2(a, b)
    J[0] = -b + 2.0*x*y - 1.0; J[1] = (x*x); J[2] = b - 2.0*x*y; J[3] = -(x*x);
NRXI_DYN_END

NRXI_DYN_F(Robertson) NRXI_S3(x, y, z) NRXI_K3(k1, k2, k3)
    out[0] = -k1*x + k3*y*z; out[1] = k1*x - k3*y*z - k2*y*y; out[2] = k2*y*y;
NRXI_DYN_END
NRXI_DYN_J(Robertson) NRXI_S3(x, y, z) NRXI_K3(k1, k2, k3)
    (void)memset(J, 0, 9 * sizeof *J); J[0] = -k1; J[1] = k3*z; J[2] = k3*y; J[3] = k1;
    J[4] = -2.0*k2*y - k3*z; J[5] = -k3*y; J[7] = 2.0*k2*y;
NRXI_DYN_END

NRXI_DYN_F(Oregonator) NRXI_S3(x, y, z) NRXI_K3(k, q, m)
    out[0] = k*(y + x*(1.0 - q*x - y)); out[1] = (z - (1.0 + x)*y)/k; out[2] = m*(x - z);
NRXI_DYN_END
NRXI_DYN_J(Oregonator) NRXI_S3(x, y, z) NRXI_K3(k, q, m)
    (void)memset(J, 0, 9 * sizeof *J); J[0] = k*(-2.0*q*x - y + 1.0); J[1] = k*(1.0 - x); J[3] = -y/k;
    J[4] = (-x - 1.0)/k; J[5] = 1.0/(k); J[6] = m; J[8] = -m;
NRXI_DYN_END

NRXI_DYN_F(SIR) NRXI_S3(s, i, r) NRXI_K2(beta, gamma)
    out[0] = -beta*s*i; out[1] = beta*s*i - gamma*i; out[2] = gamma*i;
NRXI_DYN_END
NRXI_DYN_J(SIR) NRXI_S3(s, i, r) NRXI_K2(beta, gamma)
    (void)memset(J, 0, 9 * sizeof *J); J[0] = -beta*i; J[1] = -beta*s; J[3] = beta*i; J[4] = beta*s - gamma;
    J[7] = gamma;
NRXI_DYN_END

NRXI_DYN_F(Henon) NRXI_S2(x, y) NRXI_K2(a, b)
    out[0] = 1.0 - a*x*x + y; out[1] = b*x;
NRXI_DYN_END
NRXI_DYN_J(Henon) NRXI_S2(x, y) NRXI_K2(a, b)
    (void)memset(J, 0, 4 * sizeof *J); J[0] = -2.0*a*x; J[1] = 1.0; J[2] = b;
NRXI_DYN_END

NRXI_DYN_F(Logistic) NRXI_S1(x) NRXI_K1(r)
    out[0] = r*x*(1.0 - x);
NRXI_DYN_END
NRXI_DYN_J(Logistic) NRXI_S1(x) NRXI_K1(r)
    J[0] = -r*x + r*(1.0 - x);
NRXI_DYN_END

NRXI_DYN_F(Ikeda) NRXI_S2(x, y) NRXI_K1(u)
    out[0] = 1.0 + u*(x*cos(0.4 - 6.0/(1.0 + x*x + y*y)) - y*sin(0.4 - 6.0/(1.0 + x*x + y*y)));
    out[1] = u*(x*sin(0.4 - 6.0/(1.0 + x*x + y*y)) + y*cos(0.4 - 6.0/(1.0 + x*x + y*y)));
NRXI_DYN_END
NRXI_DYN_J(Ikeda) NRXI_S2(x, y) NRXI_K1(u)
    const double v0 = (x*x); const double v1 = (y*y); const double v2 = v0 + v1 + 1.0;
    const double v3 = 0.4 - 6.0/v2; const double v4 = cos(v3); const double v5 = 12.0/(v2*v2);
    const double v6 = v5*x*y; const double v7 = v4*v6; const double v8 = sin(v3); const double v9 = v0*v5;
    const double v10 = v6*v8; const double v11 = v1*v5; J[0] = u*(v4 - v7 - v8*v9);
    J[1] = u*(-v10 - v11*v4 - v8); J[2] = u*(-v10 + v4*v9 + v8); J[3] = u*(-v11*v8 + v4 + v7);
NRXI_DYN_END

NRXI_DYN_F(Lozi) NRXI_S2(x, y) NRXI_K2(a, b)
    out[0] = 1.0 - a*fabs(x) + y; out[1] = b*x;
NRXI_DYN_END
NRXI_DYN_J(Lozi) NRXI_S2(x, y) NRXI_K2(a, b)
    (void)memset(J, 0, 4 * sizeof *J); J[0] = -a*nrxi_dyn_sign(x); J[1] = 1.0; J[2] = b;
NRXI_DYN_END

NRXI_DYN_F(Chirikov) NRXI_S2(x, p) NRXI_K1(k)
    out[0] = nrxi_dyn_wrap(x + p + k*sin(x), 6.283185307179586);
    out[1] = nrxi_dyn_wrap(p + k*sin(x), 6.283185307179586);
NRXI_DYN_END
NRXI_DYN_J(Chirikov) NRXI_S2(x, p) NRXI_K1(k)
    J[0] = k*cos(x) + 1.0; J[1] = 1.0; J[2] = k*cos(x); J[3] = 1.0;
NRXI_DYN_END

NRXI_DYN_F(CatMap) NRXI_S2(x, y)
    out[0] = nrxi_dyn_wrap(x + y, 1.0); out[1] = nrxi_dyn_wrap(x + 2.0*y, 1.0);
NRXI_DYN_END
NRXI_DYN_J(CatMap) NRXI_S2(x, y)
    J[0] = 1.0; J[1] = 1.0; J[2] = 1.0; J[3] = 2.0;
NRXI_DYN_END

NRXI_DYN_F(Tinkerbell) NRXI_S2(x, y) NRXI_K4(a, b, c, d)
    out[0] = x*x - y*y + a*x + b*y; out[1] = 2.0*x*y + c*x + d*y;
NRXI_DYN_END
NRXI_DYN_J(Tinkerbell) NRXI_S2(x, y) NRXI_K4(a, b, c, d)
    J[0] = a + 2.0*x; J[1] = b - 2.0*y; J[2] = c + 2.0*y; J[3] = d + 2.0*x;
NRXI_DYN_END

NRXI_DYN_F(DuffingMap) NRXI_S2(x, y) NRXI_K2(a, b)
    out[0] = y; out[1] = -b*x + a*y - y*y*y;
NRXI_DYN_END
NRXI_DYN_J(DuffingMap) NRXI_S2(x, y) NRXI_K2(a, b)
    (void)memset(J, 0, 4 * sizeof *J); J[1] = 1.0; J[2] = -b; J[3] = a - 3.0*(y*y);
NRXI_DYN_END

NRXI_DYN_F(GaussMap) NRXI_S1(x) NRXI_K2(a, b)
    out[0] = exp(-a*x*x) + b;
NRXI_DYN_END
NRXI_DYN_J(GaussMap) NRXI_S1(x) NRXI_K2(a, b)
    J[0] = -2.0*a*x*exp(-a*(x*x));
NRXI_DYN_END

NRXI_DYN_F(Ricker) NRXI_S1(x) NRXI_K1(r)
    out[0] = x*exp(r*(1.0 - x));
NRXI_DYN_END
NRXI_DYN_J(Ricker) NRXI_S1(x) NRXI_K1(r)
    J[0] = -r*x*exp(r*(1.0 - x)) + exp(r*(1.0 - x));
NRXI_DYN_END

NRXI_DYN_F(DeJong) NRXI_S2(x, y) NRXI_K4(a, b, c, d)
    out[0] = sin(a*y) - cos(b*x); out[1] = sin(c*x) - cos(d*y);
NRXI_DYN_END
NRXI_DYN_J(DeJong) NRXI_S2(x, y) NRXI_K4(a, b, c, d)
    J[0] = b*sin(b*x); J[1] = a*cos(a*y); J[2] = c*cos(c*x); J[3] = d*sin(d*y);
NRXI_DYN_END

NRXI_DYN_F(Circle) NRXI_S1(x) NRXI_K2(w, k)
    out[0] = nrxi_dyn_wrap(x + w - k/6.283185307179586*sin(6.283185307179586*x), 1.0);
NRXI_DYN_END
NRXI_DYN_J(Circle) NRXI_S1(x) NRXI_K2(w, k)
    J[0] = -1.0*k*cos(6.283185307179586*x) + 1.0;
NRXI_DYN_END

/* Lorenz-96: params {F, n}. */
static nrx_status nrxi_f_Lorenz96(void *user, double t, const double *x, double *out)
{
    const double F = ((const double *)user)[0];
    size_t i, n = (size_t)((const double *)user)[1];
    (void)t;
    for (i = 0; i < n; i++) out[i] = (x[i + 1 < n ? i + 1 : 0] - x[i < 2 ? i + n - 2 : i - 2]) * x[i ? i - 1 : n - 1] - x[i] + F;
    return NRX_OK;
}
static nrx_status nrxi_j_Lorenz96(void *user, double t, const double *x, double *J)
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
    2.667, 28.0, 10.0, -9.78693, -15.0385, 20.534, 0.904, 0.0, -14.6, 0.2, 0.2, 5.7, 6.51344, 0.477201,
    0.341643, 0.0726, 0.0, -5.4, 1.32, 7.91, 4.83, 4.194, 1.92648, -0.134021, -1.72147, 0.428, 0.0, -2.67,
    1.85, 10.0, 2.19944, 2.36342, 3.2202, 0.497, 0.0, -6.05, 1.4, 4.0, -8.68074, -2.47414, 0.0707758, 0.681,
    0.0, -4.88, 35.0, 3.0, 28.0, 3.26897, 5.29905, 19.4353, 2.03, 0.0, -12.0, 5.0, -10.0, -0.38, 0.171771,
    0.103605, 6.25539, 0.142, 0.0, -5.52, 36.0, 3.0, 18.0, 10.9565, 9.88131, 22.6767, 0.314, 0.0, -21.3,
    15.6, 28.0, -1.14286, -0.71429, 1.12624, -0.113865, -0.783244, 0.431, -0.000626, -4.23, 2.0, 9.0, 2.7,
    3.0, 1.7, 1.02841, -3.53487, -0.720816, 0.371, 0.0, -10.7, 1.0, -1.0, 0.1, 0.35, 1.4, -1.16354,
    -0.509237, 0.0, 0.131, 0.0, -0.231, 1.2, 8.53, 0.63, -1.5205, 0.196402, 687.391, 0.0, -0.0144, -13.2,
    0.7, 0.8, 0.965, 0.400823, 0.08, 0.0436508, -1.21553, -0.0464709, 0.0, 0.0, 0.0, -0.877, 1.0, -0.297073,
    -0.00313675, 0.425489, 0.0719055, 0.0, 0.0, 0.0, 0.0, 1.5, -1.97586, 0.246475, 0.790243, 0.00468, 0.0,
    -0.00456, 5.0, 0.1, 3.0, 2.0, 0.4, 0.01, 0.73207, 0.175493, 9.90147, 0.00681, 0.0, -0.464, 1.1, 0.87,
    -1.82073, 0.834409, 0.207825, 0.19, 0.0, -0.65, 2.0, 6.7, 1.92572, 3.19238, 5.78297, 0.192, 0.0, -3.19,
    0.95, 0.7, 0.6, 3.5, 0.25, 0.1, -0.784502, -0.628877, -0.176203, 0.0961, 0.0, -0.333, -5.5, 4.5, 1.0,
    -1.0, -2.75157, 0.190798, 3.47036, 0.207, 0.0, -1.21, 0.44, 1.1, 1.0, -0.0537726, -0.261626, 0.335016,
    0.102, 0.0, -0.542, 0.2, 4.0, 9.0, 1.0, 1.36644, 0.930915, 0.642834, 0.206, 0.0, -0.368, 1.0, 1.0,
    -0.779156, -0.630224, 2.6712, 0.127, 0.0, -2.13, 0.85, 0.5, 0.0168387, 0.0348938, 0.353468, 0.0355, 0.0,
    -1.39, 0.4, 0.175, 0.294308, 0.106495, 0.290811, 0.143, 0.0, -0.768, 13.0, 10.0, -0.791532, 0.652445,
    0.225178, 2.32, 0.0, -11.3, 10.0, 4.0, 9.0, -3.47333, 19.667, -3.82625, 0.162, 0.0, -1.16, 0.001, 0.2,
    1.1, -0.516647, -3.95687, 0.00128936, 0.0895, 0.0, -0.632, 102.0, 3.0, 0.0, -6.99286, 0.0232543,
    -0.165818, 0.554, 0.0, -5.55, 0.2, -0.01, -0.4, -1.0, -1.0, 1.0, -0.547708, 0.738765, -0.00492845,
    0.0639, 0.0, -1.26, -1.0, 1.0, 1.0, 1.0, 1.0, 0.4, 0.3, 1.0, -2.8976, 3.8878, 3.07465, 0.264, 0.0,
    -1.26, 1.73205, 1.41421, 1.0, 147.913, -1762.81, -647.376, 0.0668, 0.0, -0.0667, 2.0, 0.7, 26.0, 1.5,
    4.23344, 9.08971, 21.8666, -1.40807, 0.383, 0.0, -2.69, -3.39, 0.25, 3.0, 0.5, 0.05, -93.6677, 15.5078,
    0.032087, 43.7928, 0.113, 0.0218, 0.0, -25.6, 10.0, 2.667, 28.0, 1.1, -9.18607, -0.674457, 16.4405,
    -145.024, 0.254, 0.0976, 0.0, -12.9, 1.0, 0.55, 0.4, -0.855912, 1.48078, -0.850753, 1.63576, 0.284, 0.0,
    0.0, -0.284, 1.54132, 1.4308, -1.52555, 0.0, 0.0, 0.0, 1.68783, 1.48481, -0.537066, 0.21, 0.0, -1.21,
    -0.471998, -0.271981, 1.94182, 0.165, 0.0, -1.17, -1.33969, -0.212383, 0.329822, 0.101, 0.0, -1.32,
    0.617376, 0.665993, -1.6575, 0.0777, 0.0, -1.08, 0.5, -0.989413, -1.41917, 0.857972, 0.118, 0.0, -0.618,
    0.4, -0.771825, -0.747566, 1.30733, 0.0337, 0.0, -0.634, 0.5, -1.36004, 0.625854, -1.27882, 0.116, 0.0,
    -0.616, 0.2, -0.0600994, -0.495584, 0.023159, 0.0128, 0.0, -1.01, 4.47869, 2.29774, 6.58471, 0.079, 0.0,
    -2.08, 0.3, -1.3165, -1.543, 0.664053, 0.0381, 0.0, -0.891, 0.9, 3.9, 4.36116, 13.7056, -2.68357,
    0.0612, 0.0, -1.06, 1.7, 1.60244, -1.59832, -2.62364, 0.0437, 0.0, -1.04, -8.32587, 7.30337, 3.27989,
    0.0747, 0.0, -2.07, 2.7, 0.205495, 0.022793, 0.936369, 0.0488, 0.0, -0.319, 2.7, 0.834207, 0.149158,
    0.440286, 0.0858, 0.0, -0.481, 3.1, 0.5, 2.9781, -0.0652607, -2.80313, 0.11, 0.0, -0.61, 0.9, 0.4,
    -1.69149, -1.97837, 1.98078, 0.0615, 0.0, -1.06, 0.126357, 0.122607, 1.22154, 0.185, 0.0, -1.18, 2.017,
    -0.541061, 0.593832, 0.451272, 0.0552, 0.0, -2.07, 2.6666666666666665, 28.0, 10.0, -8.0, 8.0, 27.0,
    0.9056, 0.0, -14.5723, 4.0, 45.92, 16.0, -8.0, 8.0, 27.0, 1.5014, 0.0, -22.5015, 0.15, 0.2, 10.0, 1.0,
    1.0, 1.0, 0.0883, 0.0, -9.799, 0.18, 1.0, 0.1, 1.1, 2.1, 0.0352, 0.0, -0.5752, 1.0, 0.0, 5.0, 0.0,
    0.0154, 0.0, -0.0154, 1.0, -1.0, 0.3, 0.5, 1.2, 0.5, 0.0, 0.0, 0.1055, 0.0, -0.4055, 1.0, -1.0, 0.25,
    0.4, 1.0, 0.5, 0.0, 0.0, 0.1578, 0.0, -0.4078, 1.0, 0.0, 0.05, 7.5, 1.0, 2.5, 0.0, 0.0, 0.1038, 0.0,
    -0.1538, 1.0, 0.0, -0.15, 0.474605099003371, 0.0, 0.0319, 0.0, 0.0, -0.0319, 1.0, 0.0, -0.25,
    0.510310363079829, 0.0, 0.1316, 0.0, 0.0, -0.1316, 0.25, 3.0, 0.5, 0.05, -20.0, 0.0, 0.0, 15.0, 0.111,
    0.021, 0.0, -24.8, 2.017, -0.9, 0.0, 0.5, 0.0553, 0.0, -2.0723, 9.81, 2.0, 2.5, 0.0, 0.0, 1.46, 0.0,
    0.0, -1.46, 1.0, 1.0, 0.0, 0.0, 0.0, 0.1, 1.0, 0.0, -0.05, -0.05, 2.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0,
    1.0, 2.0, 1.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, -1.06, 1.0, 2.0, 3.0, 1.0, 0.3, 0.5, 0.0, 0.0, 0.0, 0.4,
    0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.7, 0.8, 0.5, 0.08, -1.0, 1.0, 1.0, 3.0, 1.5, 3.0, 0.04, 30000000.0,
    10000.0, 1.0, 0.0, 0.0, 77.27, 8.375e-06, 0.161, 1.0, 2.0, 3.0, 0.5, 0.1, 0.99, 0.01, 0.0, 8.0, 5.0,
    8.01, 8.0, 8.0, 8.0, 8.0, 0.471, 0.0, -0.518, -1.31, -3.642, 1.4, 0.3, 0.1, 0.1, 0.4192, -1.6232, 4.0,
    0.3, 0.6931471805599453, 0.9, 0.1, 0.1, 0.5077, -0.7184, 1.7, 0.5, 0.1, 0.1, 0.4701, -1.1633, 1.0, 0.1,
    0.1, 0.111, -0.111, 0.1234, 0.5678, 0.9624236501192069, -0.9624236501192069, 0.9, -0.6013, 2.0, 0.5,
    -0.72, -0.64, 2.75, 0.2, 0.5, 0.5, 4.9, -0.5, 0.1, 3.3, 0.3, 1.641, 1.902, 0.316, 1.525, 0.1, 0.1,
    0.333, 5.7, 0.1
};

typedef struct nrxi_dyn_entry { /* indices into nrxi_dyn_values; exponents -1 = none */
    const char *name, *equations, *param_names;
    int kind, n, n_params, params, y0, exponents;
    double period;
    nrx_status (*f)(void *user, double t, const double *y, double *dydt);
    nrx_status (*jac)(void *user, double t, const double *y, double *J);
} nrxi_dyn_entry;

static const nrxi_dyn_entry nrxi_dyn_entries[] = {
    {"Lorenz",
     "x'=sigma*(y-x); y'=x*(rho-z)-y; z'=x*y-beta*z",
     "beta rho sigma", 0, 3, 3, 0, 3, 6, 1.5008, nrxi_f_Lorenz, nrxi_j_Lorenz},
    {"Rossler",
     "x'=-y-z; y'=x+a*y; z'=b+z*(x-c)",
     "a b c", 0, 3, 3, 9, 12, 15, 5.9086, nrxi_f_Rossler, nrxi_j_Rossler},
    {"Lorenz84",
     "x'=-a*x-y*y-z*z+a*f; y'=-y+x*y-b*x*z+g; z'=-z+b*x*y+x*z",
     "a b f g", 0, 3, 4, 18, 22, 25, 6.2586, nrxi_f_Lorenz84, nrxi_j_Lorenz84},
    {"Thomas",
     "x'=-a*x+b*sin(y); y'=-a*y+b*sin(z); z'=-a*z+b*sin(x)",
     "a b", 0, 3, 2, 28, 30, 33, 4.969, nrxi_f_Thomas, nrxi_j_Thomas},
    {"Halvorsen",
     "x'=-a*x-b*(y+z)-y*y; y'=-a*y-b*(z+x)-z*z; z'=-a*z-b*(x+y)-x*x",
     "a b", 0, 3, 2, 36, 38, 41, 1.4889, nrxi_f_Halvorsen, nrxi_j_Halvorsen},
    {"Chen",
     "x'=a*(y-x); y'=(c-a)*x-x*z+c*y; z'=x*y-b*z",
     "a b c", 0, 3, 3, 44, 47, 50, 0.58689, nrxi_f_Chen, nrxi_j_Chen},
    {"ChenLee",
     "x'=a*x-y*z; y'=b*y+x*z; z'=c*z+x*y/3",
     "a b c", 0, 3, 3, 53, 56, 59, 2.8043, nrxi_f_ChenLee, nrxi_j_ChenLee},
    {"LuChen",
     "x'=a*(y-x); y'=-x*z+c*y; z'=x*y-b*z",
     "a b c", 0, 3, 3, 62, 65, 68, 2.3385, nrxi_f_LuChen, nrxi_j_LuChen},
    {"Chua",
     "x'=alpha*(y-x-m1*x-0.5*(m0-m1)*(abs(x+1)-abs(x-1))); y'=x-y+z; z'=-beta*y",
     "alpha beta m0 m1", 0, 3, 4, 71, 75, 78, 1.4235, nrxi_f_Chua, nrxi_j_Chua},
    {"Dadras",
     "x'=y-p*x+o*y*z; y'=r*y-x*z+z; z'=c*x*y-e*z",
     "c e o p r", 0, 3, 5, 81, 86, 89, 3.2886, nrxi_f_Dadras, nrxi_j_Dadras},
    {"Duffing",
     "x'=y; y'=-delta*y-beta*x-alpha*x*x*x+gamma*cos(z); z'=omega",
     "alpha beta delta gamma omega", 0, 3, 5, 92, 97, 100, 7.4496, nrxi_f_Duffing, nrxi_j_Duffing},
    {"ForcedVanDerPol",
     "x'=y; y'=mu*(1-x*x)*y-x+a*sin(z); z'=w",
     "a mu w", 0, 3, 3, 103, 106, 109, 14.477, nrxi_f_ForcedVanDerPol, nrxi_j_ForcedVanDerPol},
    {"ForcedFitzHughNagumo",
     "v'=v-v*v*v/3-w+curr+f*sin(z); w'=gamma*(v+a-b*w); z'=omega",
     "a b curr f gamma omega", 0, 3, 6, 112, 118, 121, 42.122, nrxi_f_ForcedFitzHughNagumo, nrxi_j_ForcedFitzHughNagumo},
    {"HenonHeiles",
     "x'=px; y'=py; px'=-x-2*lam*x*y; py'=-y-lam*x*x+lam*y*y",
     "lam", 0, 4, 1, 124, 125, 129, 6.37, nrxi_f_HenonHeiles, nrxi_j_HenonHeiles},
    {"NoseHoover",
     "x'=y; y'=-x+y*z; z'=a-y*y",
     "a", 0, 3, 1, 133, 134, 137, 5.8673, nrxi_f_NoseHoover, nrxi_j_NoseHoover},
    {"HastingsPowell",
     "x'=x*(1-x)-a1*x*y/(1+b1*x); y'=a1*x*y/(1+b1*x)-a2*y*z/(1+b2*y)-d1*y; z'=a2*y*z/(1+b2*y)-d2*z",
     "a1 a2 b1 b2 d1 d2", 0, 3, 6, 140, 146, 149, 135.19, nrxi_f_HastingsPowell, nrxi_j_HastingsPowell},
    {"RabinovichFabrikant",
     "x'=y*(z-1+x*x)+g*x; y'=x*(3*z+1-x*x)+g*y; z'=-2*z*(a+x*y)",
     "a g", 0, 3, 2, 152, 154, 157, 2.3356, nrxi_f_RabinovichFabrikant, nrxi_j_RabinovichFabrikant},
    {"Rucklidge",
     "x'=-a*x+b*y-y*z; y'=x; z'=-z+y*y",
     "a b", 0, 3, 2, 160, 162, 165, 6.0721, nrxi_f_Rucklidge, nrxi_j_Rucklidge},
    {"Aizawa",
     "x'=(z-b)*x-d*y; y'=d*x+(z-b)*y; z'=c+a*z-z*z*z/3-x*x-y*y-e*z*(x*x+y*y)+f*z*x*x*x",
     "a b c d e f", 0, 3, 6, 168, 174, 177, 2.5837, nrxi_f_Aizawa, nrxi_j_Aizawa},
    {"Arneodo",
     "x'=y; y'=z; z'=-a*x-b*y-c*z+d*x*x*x",
     "a b c d", 0, 3, 4, 180, 184, 187, 3.1641, nrxi_f_Arneodo, nrxi_j_Arneodo},
    {"GenesioTesi",
     "x'=y; y'=z; z'=-c*x-b*y-a*z+x*x",
     "a b c", 0, 3, 3, 190, 193, 196, 5.9431, nrxi_f_GenesioTesi, nrxi_j_GenesioTesi},
    {"Hadley",
     "x'=-y*y-z*z-a*x+a*f; y'=x*y-b*x*z-y+g; z'=b*x*y+x*z-z",
     "a b f g", 0, 3, 4, 199, 203, 206, 1.4541, nrxi_f_Hadley, nrxi_j_Hadley},
    {"RikitakeDynamo",
     "x'=-mu*x+y*z; y'=-mu*y-a*x+x*z; z'=1-x*y",
     "a mu", 0, 3, 2, 209, 211, 214, 5.8975, nrxi_f_RikitakeDynamo, nrxi_j_RikitakeDynamo},
    {"ShimizuMorioka",
     "x'=y; y'=x-a*y-x*z; z'=-b*z+x*x",
     "a b", 0, 3, 2, 217, 219, 222, 12.038, nrxi_f_ShimizuMorioka, nrxi_j_ShimizuMorioka},
    {"NewtonLeipnik",
     "x'=-a*x+y+10*y*z; y'=-x-0.4*y+5*x*z; z'=b*z-5*x*y",
     "a b", 0, 3, 2, 225, 227, 230, 8.5095, nrxi_f_NewtonLeipnik, nrxi_j_NewtonLeipnik},
    {"BurkeShaw",
     "x'=-n*(x+y); y'=y-n*x*z; z'=n*x*y+e",
     "e n", 0, 3, 2, 233, 235, 238, 0.78333, nrxi_f_BurkeShaw, nrxi_j_BurkeShaw},
    {"MooreSpiegel",
     "x'=y; y'=a*z; z'=-z+eps*y-y*x*x-b*x",
     "a b eps", 0, 3, 3, 241, 244, 247, 1.2887, nrxi_f_MooreSpiegel, nrxi_j_MooreSpiegel},
    {"Finance",
     "x'=(1/b-a)*x+z+x*y; y'=-b*y-x*x; z'=-x-c*z",
     "a b c", 0, 3, 3, 250, 253, 256, 9.8932, nrxi_f_Finance, nrxi_j_Finance},
    {"VallisElNino",
     "x'=b*y-c*(x+p); y'=-y+x*z; z'=-z-x*y+1",
     "b c p", 0, 3, 3, 259, 262, 265, 2.2087, nrxi_f_VallisElNino, nrxi_j_VallisElNino},
    {"WangSun",
     "x'=a*x+q*y*z; y'=b*x+d*y-x*z; z'=e*z+f*x*y",
     "a b d e f q", 0, 3, 6, 268, 274, 277, 26.958, nrxi_f_WangSun, nrxi_j_WangSun},
    {"Sakarya",
     "x'=a*x+h*y+s*y*z; y'=-b*y-p*x+q*x*z; z'=c*z-r*x*y",
     "a b c h p q r s", 0, 3, 8, 280, 288, 291, 4.9844, nrxi_f_Sakarya, nrxi_j_Sakarya},
    {"ArnoldBeltramiChildress",
     "x'=a*sin(z)+c*cos(y); y'=b*sin(x)+a*cos(z); z'=c*sin(y)+b*cos(x)",
     "a b c", 0, 3, 3, 294, 297, 300, 2.8508, nrxi_f_ArnoldBeltramiChildress, nrxi_j_ArnoldBeltramiChildress},
    {"LorenzStenflo",
     "x'=a*(y-x)+d*w; y'=x*(c-z)-y; z'=x*y-b*z; w'=-x-a*w",
     "a b c d", 0, 4, 4, 303, 307, 311, 3.8877, nrxi_f_LorenzStenflo, nrxi_j_LorenzStenflo},
    {"HyperRossler",
     "x'=-y-z; y'=x+a*y+w; z'=b+x*z; w'=-c*z+d*w",
     "a b c d", 0, 4, 4, 315, 319, 323, 1.1157, nrxi_f_HyperRossler, nrxi_j_HyperRossler},
    {"HyperLorenz",
     "x'=a*(y-x)+w; y'=c*x-x*z-y; z'=x*y-b*z; w'=d*w-x*z",
     "a b c d", 0, 4, 4, 327, 331, 335, 1.2775, nrxi_f_HyperLorenz, nrxi_j_HyperLorenz},
    {"NuclearQuadrupole",
     "q1'=a p1; q2'=a p2; p1'=-a q1+(3/sqrt2)b(q1^2-q2^2)-d q1(q1^2+q2^2); p2'=-a q2-3 sqrt2 b q1 q2-d q2(q1^2+q2^2)",
     "a b d", 0, 4, 3, 339, 342, 346, 6.0231, nrxi_f_NuclearQuadrupole, nrxi_j_NuclearQuadrupole},
    {"SprottA",
     "x'=y; y'=-x+y*z; z'=1-y*y",
     "", 0, 3, 0, 0, 350, 353, 6.3728, nrxi_f_SprottA, nrxi_j_SprottA},
    {"SprottB",
     "x'=y*z; y'=x-y; z'=1-x*y",
     "", 0, 3, 0, 0, 356, 359, 11.05, nrxi_f_SprottB, nrxi_j_SprottB},
    {"SprottC",
     "x'=y*z; y'=x-y; z'=1-x*x",
     "", 0, 3, 0, 0, 362, 365, 8.8852, nrxi_f_SprottC, nrxi_j_SprottC},
    {"SprottD",
     "x'=-y; y'=x+z; z'=x*z+3*y*y",
     "", 0, 3, 0, 0, 368, 371, 4.8333, nrxi_f_SprottD, nrxi_j_SprottD},
    {"SprottE",
     "x'=y*z; y'=x*x-y; z'=1-4*x",
     "", 0, 3, 0, 0, 374, 377, 7.6275, nrxi_f_SprottE, nrxi_j_SprottE},
    {"SprottF",
     "x'=y+z; y'=-x+a*y; z'=x*x-z",
     "a", 0, 3, 1, 380, 381, 384, 19.244, nrxi_f_SprottF, nrxi_j_SprottF},
    {"SprottG",
     "x'=a*x+z; y'=x*z-y; z'=-x+y",
     "a", 0, 3, 1, 387, 388, 391, 8.7097, nrxi_f_SprottG, nrxi_j_SprottG},
    {"SprottH",
     "x'=-y+z*z; y'=x+a*y; z'=x-z",
     "a", 0, 3, 1, 394, 395, 398, 20.229, nrxi_f_SprottH, nrxi_j_SprottH},
    {"SprottI",
     "x'=-a*y; y'=x+z; z'=x+y*y-z",
     "a", 0, 3, 1, 401, 402, 405, 10.93, nrxi_f_SprottI, nrxi_j_SprottI},
    {"SprottJ",
     "x'=2*z; y'=-2*y+z; z'=-x+y+y*y",
     "", 0, 3, 0, 0, 408, 411, 4.836, nrxi_f_SprottJ, nrxi_j_SprottJ},
    {"SprottK",
     "x'=x*y-z; y'=x-y; z'=x+a*z",
     "a", 0, 3, 1, 414, 415, 418, 7.006, nrxi_f_SprottK, nrxi_j_SprottK},
    {"SprottL",
     "x'=y+b*z; y'=a*x*x-y; z'=1-x",
     "a b", 0, 3, 2, 421, 423, 426, 6.7262, nrxi_f_SprottL, nrxi_j_SprottL},
    {"SprottM",
     "x'=-z; y'=-x*x-y; z'=a+a*x+y",
     "a", 0, 3, 1, 429, 430, 433, 5.3644, nrxi_f_SprottM, nrxi_j_SprottM},
    {"SprottN",
     "x'=-2*y; y'=x+z*z; z'=1+y-2*z",
     "", 0, 3, 0, 0, 436, 439, 4.8135, nrxi_f_SprottN, nrxi_j_SprottN},
    {"SprottO",
     "x'=y; y'=x-z; z'=x+x*z+a*y",
     "a", 0, 3, 1, 442, 443, 446, 9.755, nrxi_f_SprottO, nrxi_j_SprottO},
    {"SprottP",
     "x'=a*y+z; y'=-x+y*y; z'=x+y",
     "a", 0, 3, 1, 449, 450, 453, 5.3414, nrxi_f_SprottP, nrxi_j_SprottP},
    {"SprottQ",
     "x'=-z; y'=x-y; z'=a*x+y*y+b*z",
     "a b", 0, 3, 2, 456, 458, 461, 4.8443, nrxi_f_SprottQ, nrxi_j_SprottQ},
    {"SprottR",
     "x'=a-y; y'=b+z; z'=x*y-z",
     "a b", 0, 3, 2, 464, 466, 469, 7.0133, nrxi_f_SprottR, nrxi_j_SprottR},
    {"SprottS",
     "x'=-x-4*y; y'=x+z*z; z'=1+x",
     "", 0, 3, 0, 0, 472, 475, 3.3505, nrxi_f_SprottS, nrxi_j_SprottS},
    {"SprottJerk",
     "x'=y; y'=z; z'=-x+y*y-mu*z",
     "mu", 0, 3, 1, 478, 479, 482, 11.921, nrxi_f_SprottJerk, nrxi_j_SprottJerk},
    {"Lorenz63",
     "x'=sigma*(y-x); y'=x*(rho-z)-y; z'=x*y-beta*z",
     "beta rho sigma", 0, 3, 3, 485, 488, 491, 0.75, nrxi_f_Lorenz, nrxi_j_Lorenz},
    {"LorenzWolf",
     "x'=sigma*(y-x); y'=x*(rho-z)-y; z'=x*y-beta*z",
     "beta rho sigma", 0, 3, 3, 494, 497, 500, 0.5, nrxi_f_Lorenz, nrxi_j_Lorenz},
    {"Rossler10",
     "x'=-y-z; y'=x+a*y; z'=b+z*(x-c)",
     "a b c", 0, 3, 3, 503, 506, 509, 6.1, nrxi_f_Rossler, nrxi_j_Rossler},
    {"ThomasSprott",
     "x'=-a*x+b*sin(y); y'=-a*y+b*sin(z); z'=-a*z+b*sin(x)",
     "a b", 0, 3, 2, 512, 514, 517, 20.0, nrxi_f_Thomas, nrxi_j_Thomas},
    {"NoseHooverClassic",
     "x'=y; y'=-x+y*z; z'=a-y*y",
     "a", 0, 3, 1, 520, 521, 524, 6.3, nrxi_f_NoseHoover, nrxi_j_NoseHoover},
    {"DuffingSprott",
     "x'=y; y'=-delta*y-beta*x-alpha*x*x*x+gamma*cos(z); z'=omega",
     "alpha beta delta gamma omega", 0, 3, 5, 527, 532, 535, 5.236, nrxi_f_Duffing, nrxi_j_Duffing},
    {"DuffingBroad",
     "x'=y; y'=-delta*y-beta*x-alpha*x*x*x+gamma*cos(z); z'=omega",
     "alpha beta delta gamma omega", 0, 3, 5, 538, 543, 546, 6.283, nrxi_f_Duffing, nrxi_j_Duffing},
    {"Ueda",
     "x'=y; y'=-delta*y-beta*x-alpha*x*x*x+gamma*cos(z); z'=omega",
     "alpha beta delta gamma omega", 0, 3, 5, 549, 554, 557, 6.283, nrxi_f_Duffing, nrxi_j_Duffing},
    {"HenonHeiles8",
     "x'=px; y'=py; px'=-x-2*lam*x*y; py'=-y-lam*x*x+lam*y*y",
     "lam", 0, 4, 1, 560, 561, 565, 6.28, nrxi_f_HenonHeiles, nrxi_j_HenonHeiles},
    {"HenonHeiles6",
     "x'=px; y'=py; px'=-x-2*lam*x*y; py'=-y-lam*x*x+lam*y*y",
     "lam", 0, 4, 1, 569, 570, 574, 6.28, nrxi_f_HenonHeiles, nrxi_j_HenonHeiles},
    {"HyperRossler79",
     "x'=-y-z; y'=x+a*y+w; z'=b+x*z; w'=-c*z+d*w",
     "a b c d", 0, 4, 4, 578, 582, 586, 6.0, nrxi_f_HyperRossler, nrxi_j_HyperRossler},
    {"SimplestJerk",
     "x'=y; y'=z; z'=-x+y*y-mu*z",
     "mu", 0, 3, 1, 590, 591, 594, 12.0, nrxi_f_SprottJerk, nrxi_j_SprottJerk},
    {"DoublePendulum",
     "H=(p^2+2q^2-2pq cos(a-b))/(2(1+sin^2(a-b)))-2g cos a-g cos b",
     "g", 0, 4, 1, 597, 598, 602, 1.5, nrxi_f_DoublePendulum, nrxi_j_DoublePendulum},
    {"HarmonicOscillator",
     "x'=v; v'=-omega*omega*x",
     "omega", 0, 2, 1, 606, 607, 609, 6.283185307179586, nrxi_f_HarmonicOscillator, nrxi_j_HarmonicOscillator},
    {"DampedOscillator",
     "x'=v; v'=-gamma*v-x",
     "gamma", 0, 2, 1, 611, 612, 614, 6.28, nrxi_f_DampedOscillator, nrxi_j_DampedOscillator},
    {"Pendulum",
     "x'=v; v'=-sin(x)",
     "", 0, 2, 0, 0, 616, 618, 8.35, nrxi_f_Pendulum, nrxi_j_Pendulum},
    {"LotkaVolterra",
     "x'=x*(a-b*y); y'=y*(c*x-d)",
     "a b c d", 0, 2, 4, 620, 624, 626, 6.6, nrxi_f_LotkaVolterra, nrxi_j_LotkaVolterra},
    {"VanDerPol",
     "x'=v; v'=mu*(1-x*x)*v-x",
     "mu", 0, 2, 1, 628, 629, 631, 6.663, nrxi_f_VanDerPol, nrxi_j_VanDerPol},
    {"RigidBody",
     "x'=(b-c)/(b*c)*y*z; y'=(c-a)/(c*a)*z*x; z'=(a-b)/(a*b)*x*y",
     "a b c", 0, 3, 3, 633, 636, 639, 10.0, nrxi_f_RigidBody, nrxi_j_RigidBody},
    {"Kepler",
     "x'=px; y'=py; px'=-x/((x*x+y*y)*sqrt(x*x+y*y)); py'=-y/((x*x+y*y)*sqrt(x*x+y*y))",
     "", 0, 4, 0, 0, 642, 646, 6.283185307179586, nrxi_f_Kepler, nrxi_j_Kepler},
    {"FitzHughNagumo",
     "v'=v-v*v*v/3-w+curr; w'=gamma*(v+a-b*w)",
     "a b curr gamma", 0, 2, 4, 650, 654, -1, 39.0, nrxi_f_FitzHughNagumo, nrxi_j_FitzHughNagumo},
    {"Brusselator",
     "x'=a+x*x*y-(b+1)*x; y'=b*x-x*x*y",
     "a b", 0, 2, 2, 656, 658, -1, 7.16, nrxi_f_Brusselator, nrxi_j_Brusselator},
    {"Robertson",
     "x'=-k1*x+k3*y*z; y'=k1*x-k3*y*z-k2*y*y; z'=k2*y*y",
     "k1 k2 k3", 0, 3, 3, 660, 663, -1, 100000.0, nrxi_f_Robertson, nrxi_j_Robertson},
    {"Oregonator",
     "x'=k*(y+x*(1-q*x-y)); y'=(z-(1+x)*y)/k; z'=m*(x-z)",
     "k q m", 0, 3, 3, 666, 669, -1, 302.9, nrxi_f_Oregonator, nrxi_j_Oregonator},
    {"SIR",
     "s'=-beta*s*i; i'=beta*s*i-gamma*i; r'=gamma*i",
     "beta gamma", 0, 3, 2, 672, 674, -1, 60.0, nrxi_f_SIR, nrxi_j_SIR},
    {"Lorenz96",
     "x_i'=(x_{i+1}-x_{i-2})x_{i-1}-x_i+F",
     "F n", 0, 5, 2, 677, 679, 684, 2.0, nrxi_f_Lorenz96, nrxi_j_Lorenz96},
    {"Henon",
     "x+=1-a*x*x+y; y+=b*x",
     "a b", 1, 2, 2, 689, 691, 693, 1.0, nrxi_f_Henon, nrxi_j_Henon},
    {"Logistic",
     "x+=r*x*(1-x)",
     "r", 1, 1, 1, 695, 696, 697, 1.0, nrxi_f_Logistic, nrxi_j_Logistic},
    {"Ikeda",
     "x+=1+u(x cos s-y sin s); y+=u(x sin s+y cos s); s=0.4-6/(1+x^2+y^2)",
     "u", 1, 2, 1, 698, 699, 701, 1.0, nrxi_f_Ikeda, nrxi_j_Ikeda},
    {"Lozi",
     "x+=1-a*abs(x)+y; y+=b*x",
     "a b", 1, 2, 2, 703, 705, 707, 1.0, nrxi_f_Lozi, nrxi_j_Lozi},
    {"Chirikov",
     "x+=mod(x+p+k*sin(x),2pi); p+=mod(p+k*sin(x),2pi)",
     "k", 1, 2, 1, 709, 710, 712, 1.0, nrxi_f_Chirikov, nrxi_j_Chirikov},
    {"CatMap",
     "x+=mod(x+y,1); y+=mod(x+2*y,1)",
     "", 1, 2, 0, 0, 714, 716, 1.0, nrxi_f_CatMap, nrxi_j_CatMap},
    {"Tinkerbell",
     "x+=x*x-y*y+a*x+b*y; y+=2*x*y+c*x+d*y",
     "a b c d", 1, 2, 4, 718, 722, -1, 1.0, nrxi_f_Tinkerbell, nrxi_j_Tinkerbell},
    {"DuffingMap",
     "x+=y; y+=-b*x+a*y-y*y*y",
     "a b", 1, 2, 2, 724, 726, -1, 1.0, nrxi_f_DuffingMap, nrxi_j_DuffingMap},
    {"GaussMap",
     "x+=exp(-a*x*x)+b",
     "a b", 1, 1, 2, 728, 730, -1, 1.0, nrxi_f_GaussMap, nrxi_j_GaussMap},
    {"Ricker",
     "x+=x*exp(r*(1-x))",
     "r", 1, 1, 1, 731, 732, -1, 1.0, nrxi_f_Ricker, nrxi_j_Ricker},
    {"DeJong",
     "x+=sin(a*y)-cos(b*x); y+=sin(c*x)-cos(d*y)",
     "a b c d", 1, 2, 4, 733, 737, -1, 1.0, nrxi_f_DeJong, nrxi_j_DeJong},
    {"Circle",
     "x+=mod(x+w-k/2pi*sin(2pi*x),1)",
     "w k", 1, 1, 2, 739, 741, -1, 1.0, nrxi_f_Circle, nrxi_j_Circle}
};

NRX_DEF size_t nrx_dyn_count(void) { return sizeof nrxi_dyn_entries / sizeof nrxi_dyn_entries[0]; }

NRX_DEF nrx_status nrx_dyn_get(size_t index, nrx_dyn_system *out)
{
    const nrxi_dyn_entry *e;
    const double *v = nrxi_dyn_values;
    if (!out || index >= nrx_dyn_count())
        return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_get: index %zu, the catalogue has %zu systems", index, nrx_dyn_count());
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
    if (!name || !out) return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_find: needs a name and a place for the system");
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
    return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_find: no system \"%s\"; the nearest of %zu names is \"%s\"", name, nrx_dyn_count(),
                     nrxi_dyn_entries[near_hit].name);
}

NRX_DEF nrx_status nrx_dyn_lorenz96(double *params, size_t n, double forcing, nrx_vfield *out)
{
    if (!params || !out || n < 4 || n > 1000000 || !nrxi_finite_f64(&forcing))
        return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_lorenz96: needs params [2], 4 <= n <= 10^6 and a finite forcing");
    params[0] = forcing;
    params[1] = (double)n;
    out->f = nrxi_f_Lorenz96;
    out->jac = nrxi_j_Lorenz96;
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
    if (!params || !out) return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_mackey_glass: needs params {beta, gamma, p, tau}");
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
        return nrxi_fail(NULL, NRX_E_ARG, "nrx_dyn_check_jacobian: needs a field with a Jacobian, a state and a place for the error");
    n = f->n;
    m = (double *)nrxi_alloc(NULL, 2 * n * n + 3 * n, sizeof(double));
    if (!m) return nrxi_fail(NULL, NRX_E_NOMEM, "nrx_dyn_check_jacobian: out of memory");
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

NRX_DEF const char *nrx_dyn_version(void) { return NRX_DYNSYS_VERSION; }

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
