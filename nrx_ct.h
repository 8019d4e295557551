/* nrx_ct.h - v0.1.0 - computed tomography: from a raw sinogram to an image, with exact adjoints
   SPDX-License-Identifier: MIT-0 OR Unlicense

   DO THIS in one .c or .cpp file of your program (and include the header plainly elsewhere):
       #define NRX_CT_IMPLEMENTATION
       #include "nrx_ct.h"

   A COMPLETE PROGRAM   cc -O2 example.c -lm
 * >>> example
 *  #define NRX_CT_IMPLEMENTATION
 *  #include "nrx_ct.h"
 *  #include <stdio.h>
 *  static float phantom[128 * 128], image[128 * 128], sinogram[180 * 185];
 *  int main(void)
 *  {
 *      nrx_ct_geometry g = nrx_ct_parallel(128, 128, 180, 185);     // image rows, cols; views over 180 degrees; bins
 *      double psnr;
 *      if (nrx_ct_phantom_shepp_logan(&g, phantom) != NRX_OK) return 1;
 *      if (nrx_ct_project(&g, phantom, sinogram) != NRX_OK) return 1;
 *      if (nrx_ct_fbp(&g, sinogram, image, NULL) != NRX_OK) return 1;
 *      if (nrx_ct_psnr(128 * 128, NRX_F32, image, phantom, 1.0, NULL, &psnr) != NRX_OK) return 1;
 *      printf("filtered back projection: %.2f dB\n", psnr);
 *      return 0;
 *  }
 * <<< example

   CONVENTIONS (everything in this file, everywhere)
   Axes x right, y UP, z out of the slice; lengths in any one unit L, attenuation in 1/L; angles in radians, counter-clockwise.

                 y ^        detector: bin index grows along u          view at angle t
                   |        ---+----+----+----+--- u                   u = ( cos t, sin t)   detector direction
        row 0  . . | . .            ^                                  e = (-sin t, cos t)   source towards detector
               . . | . .            | e (central ray)
        -------+---+---+--->  x     |                                  bin j at s = (j - (bins-1)/2) pitch + offset
               . . | . .            |                                  parallel ray: x cos t + y sin t = s
        last   . . | . .            * source (fan: -SOD e)             fan: source -sod e, bin (sdd-sod) e + s u

   Images are [row][col] with row 0 at the TOP, volumes [slice][row][col] with z growing with the slice; pixel centres at
       x = (col - (cols-1)/2) pixel + centre_x,   y = ((rows-1)/2 - row) pixel_y + centre_y,   z = (slice - (slices-1)/2) pixel_z + centre_z.
   Sinograms are [view][bin], cone-beam projections [view][bin_row][bin]. A sinogram value is a line integral, without a unit.
*/
#if defined(NRX_STATIC) && defined(NRX_LINKAGE_) && NRX_LINKAGE_ != 1
#error "NRX_STATIC must be defined before the first nrx include of this translation unit"
#endif
#ifndef NRX_CT_H
#define NRX_CT_H
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

#define NRX_CT_VERSION "0.1.0"

/* Version of the implementation that was linked, "major.minor.patch". */
NRX_DEF const char *nrx_ct_version(void);

/* ==== geometry ==== */

enum { NRX_CT_PARALLEL = 0,          /* parallel rays; with slices or bin_rows > 1 in three dimensions                    */
       NRX_CT_FAN_FLAT = 1,          /* rays from a point to a flat detector; with bin_rows > 1 a cone beam                */
       NRX_CT_FAN_CURVED = 2,        /* to an arc around the source; pitch and offset are lengths along the arc            */
       NRX_CT_VECTOR_PARALLEL = 3,   /* every view given by vectors: ray direction, detector centre, u and v               */
       NRX_CT_VECTOR_DIVERGENT = 4   /* every view given by vectors: source, detector centre, u and v                      */ };
enum { NRX_CT_JOSEPH = 0,            /* linear interpolation between the two pixels a ray passes in each row or column (Joseph 1982) */
       NRX_CT_SIDDON = 1,            /* exact lengths of the ray in each pixel (Siddon 1985)                               */
       NRX_CT_AREA = 2               /* mean over the bin: area of the pixel inside the strip between the bin's edges; in three dimensions
                                        separable footprints (upright detectors; rolled ones: mean of four rays)           */ };

/* One view of the free vector geometry. Bin (i, j) of the detector is centred at
   detector + (j - (bins-1)/2) u + (i - (bin_rows-1)/2) v. Two-dimensional set-ups leave every z at 0 and v unused. */
typedef struct nrx_ct_view {
    double source[3];     /* position of the source; for parallel views the direction of the rays (any length) */
    double detector[3];   /* centre of the detector */
    double u[3], v[3];    /* from one bin to the next along a row, and from one bin row to the next */
} nrx_ct_view;

/* A scan and the image to reconstruct: plain data, to be made by one of the constructors below and then edited. Copying it is fine;
   a pointer in it must stay valid while the geometry is used. Zero is the default of everything marked so. */
typedef struct nrx_ct_geometry {
    int    kind;                      /* NRX_CT_PARALLEL, ... */
    int    dtype;                     /* NRX_F32 (0) or NRX_F64: element type of images and sinograms in every call */
    int    kernel;                    /* NRX_CT_JOSEPH (0), ...: how the projector discretises a line integral */
    size_t rows, cols, slices;        /* image; slices 0 or 1: two-dimensional */
    double pixel, pixel_y, pixel_z;   /* pixel width, height, depth in L; height and depth 0: as the width */
    double centre_x, centre_y, centre_z; /* of the image in world coordinates (0) */
    size_t views, bins, bin_rows;     /* bin_rows 0 or 1: one row of bins */
    double pitch, pitch_v;            /* distance of two bins, of two bin rows (0: as pitch) in L */
    double offset, offset_v;          /* s and v of the detector's centre (0) */
    double sod, sdd;                  /* fan and cone: distance from source to rotation axis, and to the detector */
    double start, step;               /* view i is at angle start + i step, if angles is NULL */
    const double *angles;             /* or at angles[i * stride] */
    const nrx_ct_view *vectors;       /* vector kinds: view i is vectors[i * stride] */
    size_t stride;                    /* 0: 1 */
    double axis_shift;                /* centre of rotation: source and detector both moved by this along u (0) */
    double tilt;                      /* detector turned about z by this angle, u towards e (0); flat detectors */
    double roll;                      /* detector turned about e by this angle, u towards v (0); three-dimensional */
    double z_start, helix_pitch;      /* helix: source and detector at z_start + helix_pitch (t - first t) / (2 pi) */
    const unsigned char *mask;        /* image-sized, 0 = pixel is fixed to zero (outside the region of interest); NULL: all */
    void  *owned;                     /* what nrx_ct_geometry_load allocated; free with nrx_ct_geometry_free */
    nrx_env env;                      /* memory, log, threads of every call with this geometry */
} nrx_ct_geometry;

/* rows x cols pixels of size 1, bins of size 1, views over 180 degrees. */
NRX_DEF nrx_ct_geometry nrx_ct_parallel(size_t rows, size_t cols, size_t views, size_t bins);

/* Fan beam, views over 360 degrees; pixels of size 1, flat detector with bins of size `pitch` at distance sdd from the source. */
NRX_DEF nrx_ct_geometry nrx_ct_fan_flat(size_t rows, size_t cols, size_t views, size_t bins, double sod, double sdd, double pitch);

/* The same with the bins on an arc of radius sdd around the source, `pitch` measured along the arc. */
NRX_DEF nrx_ct_geometry nrx_ct_fan_curved(size_t rows, size_t cols, size_t views, size_t bins, double sod, double sdd, double pitch);

/* Three dimensions: a flat panel of bin_rows x bins, at distance sdd from a source that circles the z axis at distance sod (set helix_pitch
   for a helix), or parallel rays onto such a panel; voxels of size 1, views over 360 (parallel: 180) degrees. */
NRX_DEF nrx_ct_geometry nrx_ct_cone(size_t slices, size_t rows, size_t cols, size_t views, size_t bin_rows, size_t bins, double sod, double sdd, double pitch);
NRX_DEF nrx_ct_geometry nrx_ct_parallel3d(size_t slices, size_t rows, size_t cols, size_t views, size_t bin_rows, size_t bins);

/* Views given by vectors: divergent 0 for parallel rays. The pitch of the detector is in the vectors. */
NRX_DEF nrx_ct_geometry nrx_ct_vectors(size_t slices, size_t rows, size_t cols, size_t views, size_t bin_rows, size_t bins,
                                       const nrx_ct_view *vectors, int divergent);

/* The same scan as other packages describe it.
   ASTRA: pixels of size 1, distances in pixels; source_origin = SOD, origin_detector = SDD - SOD (both 0: parallel); angles in radians. Its
       2-D images and sinograms are laid out as here; its 3-D volumes have rows growing with y, its projections are [row][view][bin].
   ODL: extents min_x .. max_x of the image in physical units, detector from s_min to s_max, src_radius = SOD, det_radius = SDD - SOD (both 0:
       parallel); its arrays are [x][y] with both growing: transpose and flip the rows.
   TIGRE: DSO = SOD, DSD = SDD, voxel sizes d_voxel (z, y, x), pixel sizes d_detector (v, u), angles counted from the x axis: ours are a quarter
       turn more, so `angles` of n_views values is filled with theirs + pi/2; volumes have rows growing with y.
   The given arrays must outlive the geometry. */
NRX_DEF nrx_ct_geometry nrx_ct_from_astra(size_t rows, size_t cols, size_t bins, double pitch, const double *angles, size_t views, double source_origin,
                                          double origin_detector);
NRX_DEF nrx_ct_geometry nrx_ct_from_odl(size_t rows, size_t cols, double min_x, double max_x, double min_y, double max_y, size_t bins, double s_min,
                                        double s_max, const double *angles, size_t views, double src_radius, double det_radius);
NRX_DEF nrx_ct_geometry nrx_ct_from_tigre(const size_t n_voxel[3], const double d_voxel[3], const size_t n_detector[2], const double d_detector[2],
                                          double dso, double dsd, const double *tigre_angles, size_t views, double *angles);

/* Published set-ups, lengths in mm: the 2DeteCT scanner (Kiss et al. 2023; 3600 views, 956 bins of 0.1496, 1024 pixels), and the simulated
   LIDC-IDRI experiments of LION: full (360 views), sparse (50), limited angle (60 views over 60 degrees). Subsets for the sparse
   and limited-angle 2DeteCT tasks: nrx_ct_geometry_subset. */
enum { NRX_CT_SETUP_2DETECT = 0, NRX_CT_SETUP_LION = 1, NRX_CT_SETUP_LION_SPARSE = 2, NRX_CT_SETUP_LION_LIMITED = 3 };
NRX_DEF nrx_ct_geometry nrx_ct_setup(int which);

/* Checks everything a call would check: NRX_OK, or a status and one line in the log that says what is wrong. */
NRX_DEF nrx_status nrx_ct_geometry_check(const nrx_ct_geometry *g);

/* Elements of the image and of the sinogram; 0 when the geometry is empty or a size overflows. */
NRX_DEF size_t nrx_ct_image_size(const nrx_ct_geometry *g);
NRX_DEF size_t nrx_ct_sino_size(const nrx_ct_geometry *g);

/* Angle of a view in radians (0 for vector kinds). */
NRX_DEF double nrx_ct_angle(const nrx_ct_geometry *g, size_t view);

/* The vectors of a view, as the free vector geometry would give them (curved detectors: of the tangent at the centre). */
NRX_DEF nrx_status nrx_ct_geometry_view(const nrx_ct_geometry *g, size_t view, nrx_ct_view *out);

/* The same scan with views first, first+step, first+2 step, ... (count of them; fewer if the scan ends, count 0: all). Shares the
   arrays of g. nrx_ct_sino_subset copies the same views of a sinogram into out[count][bin_rows][bins]. */
NRX_DEF nrx_ct_geometry nrx_ct_geometry_subset(const nrx_ct_geometry *g, size_t first, size_t step, size_t count);
NRX_DEF nrx_status nrx_ct_sino_subset(const nrx_ct_geometry *g, const void *sino, size_t first, size_t step, size_t count, void *out);

/* ==== projectors ==== */

/* sino = A image; image[slices][rows][cols], sino[views][bin_rows][bins], both of g->dtype. */
NRX_DEF nrx_status nrx_ct_project(const nrx_ct_geometry *g, const void *image, void *sino);

/* image = A^T sino, the exact transpose of nrx_ct_project as plain sums (no weights of any kind). */
NRX_DEF nrx_status nrx_ct_backproject(const nrx_ct_geometry *g, const void *sino, void *image);

/* A as a linear operator with its workspace planned: calls of op->apply and op->adjoint do not allocate. op->norm is a proven upper
   bound of ||A|| (see nrx_ct_norm, one iteration). One thread per operator. Free with nrx_ct_linop_free. */
NRX_DEF nrx_status nrx_ct_linop(const nrx_ct_geometry *g, nrx_linop *op);
NRX_DEF void nrx_ct_linop_free(nrx_linop *op);

/* ||A|| by `iterations` (0: 20) power iterations on A^T A from the all-ones image. *upper is a guaranteed bound: A has no negative entry,
   so ||A||^2 <= max_i (A^T A p)_i / p_i for every p > 0 (Collatz and Wielandt); *estimate is a lower bound. Either may be NULL. */
NRX_DEF nrx_status nrx_ct_norm(const nrx_ct_geometry *g, int iterations, double *estimate, double *upper);

/* Reads a scan description, lines of `key = value` with # comments; lengths in one unit, paths relative to the file:
       geometry        parallel, fan_flat, fan_curved or cone (required)
       detector_count, detector_pitch (required)          detector_rows, detector_pitch_v     cone
       detector_centre 0-based bin index where the ray through the rotation axis lands (or detector_offset, a length)
       detector_centre_v, detector_offset_v               likewise for rows
       source_origin, source_detector                     fan and cone, required
       angles          a .npy file, or angle_start, angle_step and views
       angle_unit      deg or rad (rad)                   sign: angle_sign = -1 turns the sense of rotation round
       image_size      rows cols [slices] (required)      pixel_size  width [height [depth]] (1)
       image_centre    x y [z]                            axis_shift, detector_tilt, detector_roll, kernel (joseph, siddon, area)
   Unknown keys, missing keys and values that are no numbers are errors that name the line. env may be NULL; it becomes g->env.
   Free with nrx_ct_geometry_free. _parse reads the same from memory; it cannot open an angle file. */
NRX_DEF nrx_status nrx_ct_geometry_load(const char *path, nrx_ct_geometry *g, const nrx_env *env);
NRX_DEF nrx_status nrx_ct_geometry_parse(const char *text, size_t size, nrx_ct_geometry *g, const nrx_env *env);
NRX_DEF void nrx_ct_geometry_free(nrx_ct_geometry *g);

/* An array from a .npy file, converted to dtype and checked against the number of elements: a sinogram (count = nrx_ct_sino_size) or an
   image. The caller frees *data with nrx_ct_free (same env). */
NRX_DEF nrx_status nrx_ct_load_npy(const char *path, int dtype, size_t count, void **data, const nrx_env *env);
NRX_DEF void nrx_ct_free(void *data, const nrx_env *env);

/* ==== analytic reconstruction ==== */

enum { NRX_CT_RAM_LAK = 0, NRX_CT_SHEPP_LOGAN = 1, NRX_CT_COSINE = 2, NRX_CT_HAMMING = 3, NRX_CT_HANN = 4 };

typedef struct nrx_ct_fbp_desc {
    int    window;         /* NRX_CT_RAM_LAK (0), ... multiplies the ramp */
    double cutoff;         /* part of the Nyquist frequency that is kept, (0, 1]; 0: 1 */
    int    short_scan;     /* fan beam, Parker weights: 0 when the views do not cover 360 degrees, 1 always, -1 never */
    int    half_detector;  /* weights for a detector that covers one side only, 360-degree scans: 0 when less than 0.9 of
                              the other side is covered, 1 always, -1 never */
    size_t extend;         /* truncated views: bins by which each end is continued with a cosine taper before filtering */
} nrx_ct_fbp_desc;

/* image = filtered back projection of sino: parallel, fan, and vector geometries whose source circles the origin. Views may stand at any
   angles: each counts for half the way to its two neighbours. The ramp is built in the space domain (Kak and Slaney 1988, chapter 3)
   and zero-padded; fan weights for any flat detector, tilted or shifted, follow from dF/ds, F the distance of ray s from the axis.
   A disc of value 1 comes back as 1. Pixels outside the field of view get what their views see. NULL desc: Ram-Lak. */
NRX_DEF nrx_status nrx_ct_fbp(const nrx_ct_geometry *g, const void *sino, void *image, const nrx_ct_fbp_desc *desc);

/* volume = FDK reconstruction of cone-beam projections [view][bin_row][bin] (Feldkamp, Davis and Kress 1984): cosine weights, ramp along the
   rows, back projection with the inverse square of the depth. Exact in the plane of the source; for a helix every view serves the slices
   within half a turn (approximate). Also reconstructs three-dimensional parallel data, slice by slice. Short scans and one-sided
   detectors as in nrx_ct_fbp. The detector must not be rolled. */
NRX_DEF nrx_status nrx_ct_fdk(const nrx_ct_geometry *g, const void *projections, void *volume, const nrx_ct_fbp_desc *desc);

/* ==== iterative reconstruction ==== */

/* What a solver did. */
typedef struct nrx_ct_info {
    int    iterations, stop;          /* NRX_STOP_..., in words: nrx_stop_string(stop) */
    double residual;                  /* |A x - b| / |b| at the end (weighted where weights are given) */
    double objective;                 /* value of what was minimised, where there is such a thing */
    double gap;                       /* proven bound of objective minus its minimum; HUGE_VAL: none known */
    double *history;                  /* in: NULL, or room for history_size values, one per iteration: relative gaps for tv in a box (else
                                         |dx| / |x|), the objective for variational, log-likelihood for mlem, |A^T r| relative to the first
                                         for cgls and lsqr (their stopping measure), relative residuals else */
    size_t history_size;
} nrx_ct_info;

enum { NRX_CT_LOWER = 1, NRX_CT_UPPER = 2, NRX_CT_BOX = 3 };   /* box: which bounds hold */
enum { NRX_CT_PDHG = 0, NRX_CT_FISTA = 1 };                    /* method of nrx_ct_tv */
enum { NRX_CT_LEAST_SQUARES = 0,     /* 1/2 sum w (A x - b)^2                                                                     */
       NRX_CT_EMISSION = 1,          /* Kullback-Leibler: sum A x + r - b log(A x + r), b counts (variational)                    */
       NRX_CT_TRANSMISSION = 2       /* Poisson counts behind the object: sum I0 exp(-A x) + r - c log(I0 exp(-A x) + r), b = -log((c-r)/I0) (variational) */ };

/* One descriptor for all iterative methods; all zero = the method's defaults. */
typedef struct nrx_ct_solver {
    int    iterations;                /* 0: as documented with the method */
    int    method;                    /* tv: NRX_CT_PDHG (0) or NRX_CT_FISTA */
    double lambda;                    /* weight of the regularizer (tv, variational); cgls, lsqr: |A x - b|^2 + lambda^2 |x|^2 */
    double tolerance;                 /* stop when the method's own measure falls below; 0: run all iterations */
    double discrepancy;               /* cgls, lsqr, sirt, sart: stop when |A x - b| is below this norm of the noise; 0: no */
    double relaxation;                /* sirt, sart: 0: 1 */
    int    box;                       /* NRX_CT_LOWER | NRX_CT_UPPER: lower <= x, x <= upper (not for cgls and lsqr) */
    double lower, upper;
    int    warm_start;                /* image holds the first iterate (else zero; mlem: one) */
    size_t subsets;                   /* sart, mlem: ordered subsets per sweep (0: sart one view each, mlem all views at once) */
    const void *weights;              /* one factor >= 0 per ray for 1/2 sum w (A x - b)^2; NULL: 1. Not for mlem */
    int    inner;                     /* tv by FISTA: steps of each prox, 0: 20 */
    int    fidelity;                  /* variational: NRX_CT_LEAST_SQUARES (0), ... */
    double photons, background;       /* transmission: I0 and r; emission and mlem: r = background */
    nrx_ct_info *info;                /* filled when not NULL */
} nrx_ct_solver;

/* SIRT: x += relaxation C A^T R (b - A x), R and C the inverse row and column sums; 100 iterations. Converges for 0 < relaxation < 2. */
NRX_DEF nrx_status nrx_ct_sirt(const nrx_ct_geometry *g, const void *sino, void *image, const nrx_ct_solver *desc);

/* SART and OS-SART (Andersen and Kak 1984): the same subset by subset, subsets in golden-section order; an iteration is a sweep over all
   views. Column sums are those of all views divided by the number of subsets. 10 iterations. With weights: ordered subsets of weighted
   least squares by separable quadratic surrogates (Erdogan and Fessler 1999), x += relaxation D A^T w (b - A x), 1/D = A^T w A 1. */
NRX_DEF nrx_status nrx_ct_sart(const nrx_ct_geometry *g, const void *sino, void *image, const nrx_ct_solver *desc);

/* Least squares by CGLS, and by LSQR (Paige and Saunders 1982); 30 iterations. With noise they first approach the object, then the noise:
   few iterations, a discrepancy, or lambda > 0. */
NRX_DEF nrx_status nrx_ct_cgls(const nrx_ct_geometry *g, const void *sino, void *image, const nrx_ct_solver *desc);
NRX_DEF nrx_status nrx_ct_lsqr(const nrx_ct_geometry *g, const void *sino, void *image, const nrx_ct_solver *desc);

/* Emission tomography: sino holds counts >= 0 of mean A x + background. MLEM (Shepp and Vardi 1982), with subsets OSEM (Hudson and Larkin
   1994); image stays >= 0, without background the expected counts equal the measured ones after every iteration. 50 iterations. */
NRX_DEF nrx_status nrx_ct_mlem(const nrx_ct_geometry *g, const void *sino, void *image, const nrx_ct_solver *desc);

/* min 1/2 |A x - b|_w^2 + lambda sum sqrt(dx^2 + dy^2 (+ dz^2)), forward differences between pixels, zero at the last; box constraints.
   PDHG: Chambolle and Pock 2011, all terms dualised as in Sidky, Jorgensen and Pan 2012, steps balanced as in Goldstein et al. 2015.
   FISTA: Beck and Teboulle 2009, prox by warm-started FGP. Both stop when the duality gap relative to the objective is below tolerance;
   the gap is a proven bound when both sides of the box are given (without an upper bound it is HUGE_VAL and tolerance is for |dx|/|x|).
   Defaults: 300 iterations (FISTA 100). */
NRX_DEF nrx_status nrx_ct_tv(const nrx_ct_geometry *g, const void *sino, void *image, const nrx_ct_solver *desc);

/* min fidelity(A x; b) + lambda R(x) in the box for any functional R with a gradient; R NULL or lambda 0: the fidelity alone. Accelerated gradient
   with restart when R is convex, nonmonotone accelerated proximal gradient (Li and Lin 2015) when it is not. 200 iterations. */
NRX_DEF nrx_status nrx_ct_variational(const nrx_ct_geometry *g, const void *sino, const nrx_functional *R, void *image, const nrx_ct_solver *desc);

/* -- choosing lambda without a reference -- */

enum { NRX_CT_HELD_OUT = 0,          /* cross-validation over views: each fold is predicted from the others; the least mean error wins         */
       NRX_CT_DISCREPANCY = 1,       /* |A x - b| = the norm of the noise (Morozov), by bisection                                              */
       NRX_CT_L_CURVE = 2,           /* corner of log residual against log regularizer (Hansen 1992)                                           */
       NRX_CT_GCV = 3                /* generalized cross-validation, trace by one random probe (Golub, Heath and Wahba 1979; Girard 1989)     */ };

typedef struct nrx_ct_choice {
    int    rule;                      /* NRX_CT_HELD_OUT (0), ... */
    double lambda_min, lambda_max;    /* searched range; 0: 1e-4 and 0.3 times max |A^T b| / 8 */
    int    steps;                     /* values on a logarithmic grid (discrepancy: bisections); 0: 7 */
    size_t folds;                     /* held-out: 0: 4, interleaved views */
    double noise;                     /* discrepancy: standard deviation per ray (weighted residual); 0: estimated by nrx_ct_noise_level */
    double *lambdas, *scores;         /* NULL, or `steps` values each: what was tried, and its score (discrepancy: residual norm) */
    uint64_t seed;                    /* gcv */
} nrx_ct_choice;

/* *lambda for nrx_ct_tv (R NULL) or nrx_ct_variational with R, otherwise as `base` says (weights with held-out views only). Costs steps reconstructions, times folds for held-out,
   twice for gcv. */
NRX_DEF nrx_status nrx_ct_choose_lambda(const nrx_ct_geometry *g, const void *sino, const nrx_functional *R, const nrx_ct_solver *base,
                                        const nrx_ct_choice *how, double *lambda);

/* *iterations of nrx_ct_cgls on every second view at which views left out are predicted best, up to `most`. */
NRX_DEF nrx_status nrx_ct_choose_iterations(const nrx_ct_geometry *g, const void *sino, int most, int *iterations);

/* Standard deviation of the noise of a sinogram: median absolute third difference along the bins, scaled for normal noise. */
NRX_DEF nrx_status nrx_ct_noise_level(const nrx_ct_geometry *g, const void *sino, double *sigma);

/* |A x - b| / |b|: how well an image explains a sinogram, say of views that were not used. */
NRX_DEF nrx_status nrx_ct_residual(const nrx_ct_geometry *g, const void *image, const void *sino, double *relative);

/* R(x) = sum sqrt(dx^2 + dy^2 (+ dz^2) + epsilon^2) - epsilon as a functional; lip and convexity are set. Holds no memory: user points to a copy
   of the sizes inside `store`, which must live as long as R. */
typedef struct nrx_ct_smooth_tv { size_t rows, cols, slices; int dtype; double epsilon; } nrx_ct_smooth_tv;
NRX_DEF nrx_status nrx_ct_tv_functional(const nrx_ct_geometry *g, double epsilon, nrx_ct_smooth_tv *store, nrx_functional *R);

/* ==== phantoms: ellipses, their images and their exact line integrals ==== */

/* An ellipse, or with c > 0 an ellipsoid whose axis c lies along z; c = 0 in three dimensions is a cylinder without end. */
typedef struct nrx_ct_ellipse {
    double x, y, z;      /* centre */
    double a, b, c;      /* semi-axes along its own x, its own y, and z */
    double phi;          /* its x axis is turned counter-clockwise by this angle */
    double value;        /* added inside */
} nrx_ct_ellipse;

/* The ten ellipses of the Shepp-Logan head, scaled by `radius` (its unit disc becomes that large), with the original values (2.0 to -0.98;
   Shepp and Logan 1974) or with Toft's modified contrast (1 to -0.8, image in 0 .. 1; Toft 1996). out: 10 ellipses. */
NRX_DEF void nrx_ct_shepp_logan(double radius, int modified, nrx_ct_ellipse *out);

/* A head after the Forbild phantom (Lauritsch and Bruder 1998), in g/cm^3: skull 1.8, brain 1.05, eyes, ventricle, haematoma and two small
   spheres 0.005 to 0.01 off, nasal cavity, petrous bone with air cells; whole ellipses only, none of its clipped parts. `radius` is half
   its field of 25.6 cm. Show 1.035 to 1.065. out: NRX_CT_HEAD ellipses, cylinders in three dimensions. */
enum { NRX_CT_HEAD = 24 };
NRX_DEF void nrx_ct_head(double radius, nrx_ct_ellipse *out);

/* Foam after Pelt, Hendriksen and Batenburg (2022): a disc (dimensions 2) or an endless cylinder of `radius` and value 1, and in it `voids`
   discs or balls of value -1 that never overlap, each as large as fits at the best of 64 random places, at most 0.2 radius; balls lie
   within |z| < radius. out: 1 + voids ellipses, the disc first. Costs O(voids^2). */
NRX_DEF nrx_status nrx_ct_foam(double radius, size_t voids, int dimensions, uint64_t seed, nrx_ct_ellipse *out);

/* image = sum of the ellipses on the grid of g: exact means along rows, `samples` sub-rows per pixel (0: 16). */
NRX_DEF nrx_status nrx_ct_phantom_ellipses(const nrx_ct_geometry *g, const nrx_ct_ellipse *e, size_t count, int samples, void *image);

/* The modified Shepp-Logan phantom in the largest disc that fits the image. */
NRX_DEF nrx_status nrx_ct_phantom_shepp_logan(const nrx_ct_geometry *g, void *image);

/* Training images. textured: a shaded elliptic body, six cosines of random direction, frequency 0.35 .. 1.45 rad per pixel and amplitude
   about `texture` (0: 0.04), four to eight random ellipses, clipped to [0, 1]. random_ellipses: the sum of Poisson(50) ellipses of Adler and
   Oktem's learned primal-dual (2018). Image `index` of `seed` is the same on every call. */
NRX_DEF nrx_status nrx_ct_phantom_textured(const nrx_ct_geometry *g, uint64_t seed, uint64_t index, double texture, void *image);
NRX_DEF nrx_status nrx_ct_phantom_random_ellipses(const nrx_ct_geometry *g, uint64_t seed, uint64_t index, void *image);

/* sino = exact line integrals of the ellipses for any geometry. sub_rays 0 or 1: through the bin centres; more: mean of that many rays
   across each bin; -1: exact mean over the bin (parallel beam; elsewhere 16 rays). */
NRX_DEF nrx_status nrx_ct_ellipses_project(const nrx_ct_geometry *g, const nrx_ct_ellipse *e, size_t count, int sub_rays, void *sino);

/* ==== noise ==== */

typedef struct nrx_ct_noise {
    double photons;      /* I0, mean count of the open beam per bin */
    double electronic;   /* standard deviation of the read-out noise in counts (0) */
    double cross_talk;   /* Gaussian blur between neighbouring bins, standard deviation in bins (0) */
    double background;   /* mean count of scatter and dark events, known and subtracted (0) */
    uint64_t seed;
} nrx_ct_noise;

/* Line integrals -> counts of mean I0 exp(-p) -> line integrals again, in place: Poisson noise, then blur, then electronic noise; counts
   below 0.5 become 0.5 (starved rays). sino has n values; n is a multiple of `bins`, the blur stays within rows of bins (0: no blur). */
NRX_DEF nrx_status nrx_ct_add_poisson_noise(size_t n, size_t bins, int dtype, void *sino, const nrx_ct_noise *noise);

/* Adds independent normal noise: of standard deviation `sigma`, or of `sigma` times mean |sino| when relative is not 0. */
NRX_DEF nrx_status nrx_ct_add_gaussian_noise(size_t n, int dtype, void *sino, double sigma, int relative, uint64_t seed);

/* One sample of the Poisson distribution of the given mean (0 for mean <= 0; means above 1e15 return the mean). */
NRX_DEF double nrx_ct_poisson(nrx_rng *r, double mean);

/* ==== metrics: image against reference, both of n or rows x cols elements; mask as in nrx_ct_geometry or NULL ==== */

/* 10 log10(range^2 / MSE); range 0: max - min of the reference. Identical arrays give HUGE_VAL. */
NRX_DEF nrx_status nrx_ct_psnr(size_t n, int dtype, const void *image, const void *reference, double range, const unsigned char *mask, double *psnr);

/* |image - reference| / |reference| in the Euclidean norm. */
NRX_DEF nrx_status nrx_ct_nrmse(size_t n, int dtype, const void *image, const void *reference, const unsigned char *mask, double *nrmse);

enum { NRX_CT_SSIM_WANG = 0,      /* Wang et al. 2004: Gaussian window 11 x 11, sigma 1.5, population covariance, 5 pixels of border cut */
       NRX_CT_SSIM_UNIFORM = 1    /* the default of scikit-image: uniform window 7 x 7, sample covariance, 3 pixels of border cut */ };
/* Mean structural similarity; range 0: max - min of the reference. The mask chooses the pixels over which the mean is taken. */
NRX_DEF nrx_status nrx_ct_ssim(size_t rows, size_t cols, int dtype, const void *image, const void *reference, double range, int variant,
                               const unsigned char *mask, double *ssim);

/* ==== calibration: derivatives with respect to the geometry ==== */

enum { NRX_CT_BY_ANGLE = 0,          /* all angles moved together (per view: that view's angle)  */
       NRX_CT_BY_OFFSET = 1,         /* detector offset                                          */
       NRX_CT_BY_AXIS_SHIFT = 2,     /* centre of rotation                                       */
       NRX_CT_BY_SOD = 3, NRX_CT_BY_SDD = 4, NRX_CT_BY_TILT = 5,
       NRX_CT_BY_SOURCE_X = 6, NRX_CT_BY_SOURCE_Y = 7,       /* source position (parallel: ray direction) */
       NRX_CT_BY_DETECTOR_X = 8, NRX_CT_BY_DETECTOR_Y = 9,   /* position of the detector's centre */
       NRX_CT_PARAMETERS = 10 };

/* gradient[NRX_CT_PARAMETERS] = d <y, A(theta) image> / d theta, exact for the Joseph kernel (except where a ray meets a pixel centre, where
   that has a kink). With y = A image - b it is the gradient of 1/2 |A image - b|^2. per_view[views][NRX_CT_PARAMETERS] holds the share
   of each view, or is NULL. Two dimensions, parallel and flat fan geometries. */
NRX_DEF nrx_status nrx_ct_geometry_gradient(const nrx_ct_geometry *g, const void *image, const void *y, double *gradient, double *per_view);

/* Adds `amount` to a parameter of the geometry (NRX_CT_BY_ANGLE to NRX_CT_BY_TILT; angles given as an array are not changed: NRX_E_UNSUPPORTED). */
NRX_DEF nrx_status nrx_ct_geometry_move(nrx_ct_geometry *g, int parameter, double amount);

/* Finds the parameters whose bit 1 << NRX_CT_BY_... is set in `which` (offset, axis shift, sod, sdd, tilt) by BFGS on the residual of a CGLS
   reconstruction of `inner` iterations (0: until one more lowers the residual by less than 1/1000 of it): first with the derivative at fixed
   image, nrx_ct_geometry_gradient, then with differences, which see the image move too. At most `iterations` (0: 20) steps each;
   *residual (may be NULL) receives the final |A x - b| / |b|. g is changed in place. */
NRX_DEF nrx_status nrx_ct_calibrate(nrx_ct_geometry *g, const void *sino, unsigned which, int iterations, int inner, double *residual);

/* Offset of a parallel scan from its centres of mass, which must follow x cos t + y sin t + offset. Fits views in which the object is complete. */
NRX_DEF nrx_status nrx_ct_find_offset(const nrx_ct_geometry *g, const void *sino, double *offset);

/* ==== data: from counts to line integrals, artefacts, physics ==== */

/* sino = -log((raw - dark) / (flat - dark)), clipped below at `least` (0: 1e-6, starved rays); raw and sino [views][bin_rows][bins] and may be one array;
   flat[flats][bin_rows][bins], dark[darks][...] are averaged, darks 0: dark is zero. Bins whose flat does not exceed their dark are dead:
   they become 0 and are marked in dead[bin_rows][bins] (may be NULL). */
NRX_DEF nrx_status nrx_ct_flat_field(const nrx_ct_geometry *g, const void *raw, const void *flat, size_t flats, const void *dark, size_t darks, double least,
                                     void *sino, unsigned char *dead);

/* Rays with bad[views][bin_rows][bins] != 0 are interpolated linearly between their good neighbours in the same row: dead bins, metal traces. */
NRX_DEF nrx_status nrx_ct_interpolate(const nrx_ct_geometry *g, void *sino, const unsigned char *bad);

/* bad = rays that pass a pixel above `threshold` of image (metal masking: then nrx_ct_interpolate, reconstruct, paste the metal back). */
NRX_DEF nrx_status nrx_ct_metal_trace(const nrx_ct_geometry *g, const void *image, double threshold, unsigned char *bad);

/* Ring artefacts: what stays in the same bin in all views after each view lost its local parabola over `size` (odd; 0: one bin in twenty, at least 9) bins is a
   stripe; the median over the views is subtracted, in three rounds. Wider windows take broader stripes, and more of a round object. */
NRX_DEF nrx_status nrx_ct_remove_rings(const nrx_ct_geometry *g, void *sino, size_t size);

/* Zingers: values that exceed both neighbours in view by more than `factor` (0: 6) noise levels become their mean; returns how many. */
NRX_DEF nrx_status nrx_ct_remove_zingers(const nrx_ct_geometry *g, void *sino, double factor, size_t *count);

/* Polychromatic beam: spectrum[e] (any scale) of `energies` energies, mu[m * energies + e] of `materials` materials in 1/L at density 1. */
typedef struct nrx_ct_beam { size_t energies, materials; const double *spectrum, *mu; } nrx_ct_beam;

/* sino = -log(sum_e S_e exp(-sum_m mu_me L_m) / sum_e S_e), lengths[m][n] the line integrals of the materials' densities. */
NRX_DEF nrx_status nrx_ct_polychromatic(size_t n, int dtype, const nrx_ct_beam *beam, const void *lengths, void *sino);

/* Beam hardening: coefficients c_1 .. c_degree (degree <= 6) of the polynomial that turns polychromatic values of material `m` up to length
   `longest` into mu_0 L, mu_0 the mean attenuation of thin layers; and sino = c_1 sino + c_2 sino^2 + ... in place (water correction). */
NRX_DEF nrx_status nrx_ct_fit_hardening(const nrx_ct_beam *beam, size_t m, double longest, int degree, double *c);
NRX_DEF nrx_status nrx_ct_correct_hardening(size_t n, int dtype, void *sino, int degree, const double *c);

/* image = 1000 (image - mu_water) / (mu_water - mu_air), in place. */
NRX_DEF nrx_status nrx_ct_hounsfield(size_t n, int dtype, void *image, double mu_water, double mu_air);

/* ==== image files ==== */

/* Reads the first `pages` of one of: .npy, TIFF (uncompressed, 8 or 16 bit or float, either byte order, one sample per pixel, multi-page), MetaImage
   .mha/.mhd, PGM (binary). *data is f32 or f64, [pages][rows][cols]; free with nrx_ct_free. spacing[3] = x, y, z of MetaImage, else 1; NULL allowed.
   Other files give NRX_E_FORMAT and say how they begin. _decode reads from memory (MetaImage with a separate data file needs a path). */
NRX_DEF nrx_status nrx_ct_image_load(const char *path, int dtype, void **data, size_t shape[3], double spacing[3], const nrx_env *env);
NRX_DEF nrx_status nrx_ct_image_decode(const void *bytes, size_t size, int dtype, void **data, size_t shape[3], double spacing[3], const nrx_env *env);

/* Raw little-endian numbers after `offset` bytes, kind one of "u8 u16 i16 f32 f64". */
NRX_DEF nrx_status nrx_ct_raw_load(const char *path, const char *kind, size_t offset, size_t count, int dtype, void **data, const nrx_env *env);

/* Writes data[pages][rows][cols]; the ending chooses: .npy (one page: two axes), .tif (float), .mha (float), .pgm (first page, lo .. hi mapped to 0 .. 65535), .raw (f32). */
NRX_DEF nrx_status nrx_ct_image_save(const char *path, int dtype, const void *data, const size_t shape[3], const double spacing[3], double lo, double hi,
                                     const nrx_env *env);

#ifdef __cplusplus
}
#endif
#endif /* NRX_CT_H */

#if (defined(NRX_CT_IMPLEMENTATION) || defined(NRX_IMPLEMENTATION) || defined(NRX_STATIC)) && !defined(NRX_CT_IMPL_DONE_)
#define NRX_CT_IMPL_DONE_
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

/* ==== geometry ==== */

/* In twin text these stay double when the f32 text is generated. */
typedef double nrxi_ct_wide;
NRXI_FN double nrxi_ct_wide_abs(double x) { return fabs(x); }
NRXI_FN double nrxi_ct_wide_root(double x) { return sqrt(x); }
NRXI_FN double nrxi_ct_wide_atan(double x) { return atan(x); }
NRXI_FN double nrxi_ct_wide_floor(double x) { return floor(x); }

NRXI_FN size_t nrxi_ct_stride(const nrx_ct_geometry *g) { return g->stride ? g->stride : 1; }
NRXI_FN size_t nrxi_ct_slices(const nrx_ct_geometry *g) { return g->slices ? g->slices : 1; }
NRXI_FN size_t nrxi_ct_bin_rows(const nrx_ct_geometry *g) { return g->bin_rows ? g->bin_rows : 1; }
NRXI_FN int nrxi_ct_is_3d(const nrx_ct_geometry *g) { return nrxi_ct_slices(g) > 1 || nrxi_ct_bin_rows(g) > 1; }
NRXI_FN int nrxi_ct_divergent(const nrx_ct_geometry *g)
{
    return g->kind == NRX_CT_FAN_FLAT || g->kind == NRX_CT_FAN_CURVED || g->kind == NRX_CT_VECTOR_DIVERGENT;
}
NRXI_FN int nrxi_ct_by_vectors(const nrx_ct_geometry *g)
{
    return g->kind == NRX_CT_VECTOR_PARALLEL || g->kind == NRX_CT_VECTOR_DIVERGENT;
}

/* Pixel sizes and the centres of pixel [0][0][0]. */
typedef struct nrxi_ct_grid { double hx, hy, hz, x0, y0, z0; } nrxi_ct_grid;

NRXI_FN nrxi_ct_grid nrxi_ct_grid_of(const nrx_ct_geometry *g)
{
    nrxi_ct_grid q;
    q.hx = g->pixel;
    q.hy = g->pixel_y != 0 ? g->pixel_y : g->pixel;
    q.hz = g->pixel_z != 0 ? g->pixel_z : g->pixel;
    q.x0 = g->centre_x - 0.5 * ((double)g->cols - 1) * q.hx;
    q.y0 = g->centre_y + 0.5 * ((double)g->rows - 1) * q.hy;
    q.z0 = g->centre_z - 0.5 * ((double)nrxi_ct_slices(g) - 1) * q.hz;
    return q;
}

/* cos and sin from + - * / alone: the same bits everywhere, exact at quarter turns. */
NRXI_FN void nrxi_ct_cos_sin(double t, double *c, double *s)
{
    double u = t / (2 * NRX_PI);
    nrxi_rng_cos_sin(u - floor(u), c, s);
}

NRX_DEF nrx_ct_geometry nrx_ct_parallel(size_t rows, size_t cols, size_t views, size_t bins)
{
    nrx_ct_geometry g;
    memset(&g, 0, sizeof g);
    g.kind = NRX_CT_PARALLEL;
    g.rows = rows;
    g.cols = cols;
    g.views = views;
    g.bins = bins;
    g.pixel = g.pitch = 1;
    g.step = views ? NRX_PI / (double)views : 0;
    return g;
}

NRX_DEF nrx_ct_geometry nrx_ct_fan_flat(size_t rows, size_t cols, size_t views, size_t bins, double sod, double sdd, double pitch)
{
    nrx_ct_geometry g = nrx_ct_parallel(rows, cols, views, bins);
    g.kind = NRX_CT_FAN_FLAT;
    g.step *= 2;
    g.sod = sod;
    g.sdd = sdd;
    g.pitch = pitch;
    return g;
}

NRX_DEF nrx_ct_geometry nrx_ct_fan_curved(size_t rows, size_t cols, size_t views, size_t bins, double sod, double sdd, double pitch)
{
    nrx_ct_geometry g = nrx_ct_fan_flat(rows, cols, views, bins, sod, sdd, pitch);
    g.kind = NRX_CT_FAN_CURVED;
    return g;
}

NRX_DEF nrx_ct_geometry nrx_ct_parallel3d(size_t slices, size_t rows, size_t cols, size_t views, size_t bin_rows, size_t bins)
{
    nrx_ct_geometry g = nrx_ct_parallel(rows, cols, views, bins);
    g.slices = slices;
    g.bin_rows = bin_rows;
    return g;
}

NRX_DEF nrx_ct_geometry nrx_ct_cone(size_t slices, size_t rows, size_t cols, size_t views, size_t bin_rows, size_t bins, double sod, double sdd, double pitch)
{
    nrx_ct_geometry g = nrx_ct_fan_flat(rows, cols, views, bins, sod, sdd, pitch);
    g.slices = slices;
    g.bin_rows = bin_rows;
    return g;
}

NRX_DEF nrx_ct_geometry nrx_ct_vectors(size_t slices, size_t rows, size_t cols, size_t views, size_t bin_rows, size_t bins,
                                       const nrx_ct_view *vectors, int divergent)
{
    nrx_ct_geometry g = nrx_ct_parallel3d(slices, rows, cols, views, bin_rows, bins);
    g.kind = divergent ? NRX_CT_VECTOR_DIVERGENT : NRX_CT_VECTOR_PARALLEL;
    g.vectors = vectors;
    return g;
}

NRX_DEF nrx_ct_geometry nrx_ct_from_astra(size_t rows, size_t cols, size_t bins, double pitch, const double *angles, size_t views, double source_origin,
                                          double origin_detector)
{
    nrx_ct_geometry g = nrx_ct_fan_flat(rows, cols, views, bins, source_origin, source_origin + origin_detector, pitch);
    if (source_origin == 0 && origin_detector == 0) g.kind = NRX_CT_PARALLEL;
    g.angles = angles;
    return g;
}

NRX_DEF nrx_ct_geometry nrx_ct_from_odl(size_t rows, size_t cols, double min_x, double max_x, double min_y, double max_y, size_t bins, double s_min,
                                        double s_max, const double *angles, size_t views, double src_radius, double det_radius)
{
    nrx_ct_geometry g = nrx_ct_from_astra(rows, cols, bins, bins ? (s_max - s_min) / (double)bins : 0, angles, views, src_radius, det_radius);
    g.pixel = cols ? (max_x - min_x) / (double)cols : 0;
    g.pixel_y = rows ? (max_y - min_y) / (double)rows : 0;
    g.centre_x = 0.5 * (min_x + max_x);
    g.centre_y = 0.5 * (min_y + max_y);
    g.offset = 0.5 * (s_min + s_max);
    return g;
}

NRX_DEF nrx_ct_geometry nrx_ct_from_tigre(const size_t n_voxel[3], const double d_voxel[3], const size_t n_detector[2], const double d_detector[2],
                                          double dso, double dsd, const double *tigre_angles, size_t views, double *angles)
{
    nrx_ct_geometry g = nrx_ct_cone(n_voxel[0], n_voxel[1], n_voxel[2], views, n_detector[0], n_detector[1], dso, dsd, d_detector[1]);
    size_t i;
    g.pitch_v = d_detector[0];
    g.pixel_z = d_voxel[0];
    g.pixel_y = d_voxel[1];
    g.pixel = d_voxel[2];
    for (i = 0; i < views; i++) angles[i] = tigre_angles[i] + 0.5 * NRX_PI;
    g.angles = angles;
    return g;
}

NRX_DEF nrx_ct_geometry nrx_ct_setup(int which)
{
    nrx_ct_geometry g;
    if (which == NRX_CT_SETUP_2DETECT) {
        g = nrx_ct_fan_flat(1024, 1024, 3600, 956, 431.019989, 529.000488, 0.1496);
        g.pixel = 956 * 0.1496 * g.sod / g.sdd / 1024;
        g.start = NRX_PI;
        g.step = -2 * NRX_PI / 3600;
        g.centre_x = -g.pixel; /* the published references are moved by one voxel */
        g.centre_y = -g.pixel;
        return g;
    }
    g = nrx_ct_fan_flat(512, 512, which == NRX_CT_SETUP_LION ? 360 : which == NRX_CT_SETUP_LION_SPARSE ? 50 : 60, 900, 575, 1050, 1);
    g.pixel = 300.0 / 512;
    if (which == NRX_CT_SETUP_LION_LIMITED) g.step = NRX_PI / 3 / 60;
    return g;
}

NRX_DEF double nrx_ct_angle(const nrx_ct_geometry *g, size_t view)
{
    if (nrxi_ct_by_vectors(g)) return 0;
    return g->angles ? g->angles[view * nrxi_ct_stride(g)] : g->start + (double)view * g->step;
}

/* A view's frame: its vectors, and for curved detectors the two unit vectors and the angle per bin. */
typedef struct nrxi_ct_frame {
    nrx_ct_view v;
    int    divergent, curved;
    double e[2], w[2];           /* curved: towards the detector's centre, and across */
    double d_gamma, gamma0;      /* curved: angle per bin, and of the detector's centre */
    double mid_u, mid_v;         /* (bins-1)/2, (bin_rows-1)/2 */
} nrxi_ct_frame;

NRXI_FN void nrxi_ct_turn(double u[3], double v[3], double angle) /* u towards v */
{
    double c, s;
    int k;
    if (angle == 0) return;
    nrxi_ct_cos_sin(angle, &c, &s);
    for (k = 0; k < 3; k++) {
        double p = u[k], q = v[k];
        u[k] = c * p + s * q;
        v[k] = c * q - s * p;
    }
}

NRXI_FN nrxi_ct_frame nrxi_ct_frame_of(const nrx_ct_geometry *g, size_t view)
{
    nrxi_ct_frame f;
    double c, s, z, t, u[3], e[3], v[3];
    int k;
    memset(&f, 0, sizeof f);
    f.divergent = nrxi_ct_divergent(g);
    f.mid_u = 0.5 * ((double)g->bins - 1);
    f.mid_v = 0.5 * ((double)nrxi_ct_bin_rows(g) - 1);
    if (nrxi_ct_by_vectors(g)) { f.v = g->vectors[view * nrxi_ct_stride(g)]; return f; }
    t = nrx_ct_angle(g, view);
    nrxi_ct_cos_sin(t, &c, &s);
    z = g->z_start + g->helix_pitch * (t - nrx_ct_angle(g, 0)) / (2 * NRX_PI);
    u[0] = c; u[1] = s; u[2] = 0;
    e[0] = -s; e[1] = c; e[2] = 0;
    v[0] = v[1] = 0; v[2] = 1;
    for (k = 0; k < 3; k++) {
        double axis = k == 2 ? z : 0;
        f.v.source[k] = f.divergent ? axis + g->axis_shift * u[k] - g->sod * e[k] : e[k];
        f.v.detector[k] = axis + (g->axis_shift + (g->kind == NRX_CT_FAN_CURVED ? 0 : g->offset)) * u[k] + g->offset_v * v[k]
                        + (f.divergent ? (g->sdd - g->sod) * e[k] : 0);
    }
    if (g->kind == NRX_CT_FAN_CURVED) {
        f.curved = 1;
        f.d_gamma = g->pitch / g->sdd;
        f.gamma0 = g->offset / g->sdd;
        f.e[0] = e[0]; f.e[1] = e[1];
        f.w[0] = u[0]; f.w[1] = u[1];
    }
    nrxi_ct_turn(u, e, g->tilt);
    nrxi_ct_turn(u, v, g->roll);
    for (k = 0; k < 3; k++) {
        f.v.u[k] = u[k] * g->pitch;
        f.v.v[k] = v[k] * (g->pitch_v != 0 ? g->pitch_v : g->pitch);
    }
    return f;
}

NRX_DEF nrx_status nrx_ct_geometry_view(const nrx_ct_geometry *g, size_t view, nrx_ct_view *out)
{
    nrx_status status = nrx_ct_geometry_check(g);
    if (status != NRX_OK) return status;
    if (!out || view >= g->views) return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_geometry_view: view %zu of %zu", view, g->views);
    *out = nrxi_ct_frame_of(g, view).v;
    return NRX_OK;
}

/* The ray through position (bin, bin_row), both may be fractional: a point on it and its direction. Divergent rays start at the point. */
NRXI_FN void nrxi_ct_ray(const nrxi_ct_frame *f, double bin, double bin_row, double point[3], double dir[3])
{
    double j = bin - f->mid_u, i = bin_row - f->mid_v;
    int k;
    if (f->curved) {
        double c, s;
        nrxi_ct_cos_sin(f->gamma0 + j * f->d_gamma, &c, &s);
        for (k = 0; k < 2; k++) { point[k] = f->v.source[k]; dir[k] = c * f->e[k] + s * f->w[k]; }
        point[2] = f->v.source[2];
        dir[2] = 0;
        return;
    }
    for (k = 0; k < 3; k++) {
        double d = f->v.detector[k] + j * f->v.u[k] + i * f->v.v[k];
        point[k] = f->divergent ? f->v.source[k] : d;
        dir[k] = f->divergent ? d - f->v.source[k] : f->v.source[k];
    }
}

/* From a point to its bin, the inverse of nrxi_ct_ray. The ray through the point (x, y) meets the detector at bin (n0 + nx x + ny y) / (m0 + mx x + my y). For rays from a point the
   denominator is the depth of (x, y) seen from the source across the detector, scaled to 1 at the rotation axis. Curved detectors use
   the tangent at their middle and take the angle of it. */
typedef struct nrxi_ct_bp { double n0, nx, ny, m0, mx, my, weight, t; } nrxi_ct_bp;

NRXI_FN double nrxi_ct_cross(const double a[2], const double b[2]) { return a[0] * b[1] - a[1] * b[0]; }

NRXI_FN nrxi_ct_bp nrxi_ct_bp_of(const nrxi_ct_frame *f, double pitch)
{
    nrxi_ct_bp b;
    double u[2], c[2], scale;
    const double *s = f->v.source;
    memset(&b, 0, sizeof b);
    u[0] = f->v.u[0]; u[1] = f->v.u[1];
    if (!f->divergent) { /* bin: cross(X - C, r) / cross(u, r) */
        scale = nrxi_ct_cross(u, s);
        b.nx = s[1] / scale;
        b.ny = -s[0] / scale;
        b.n0 = f->mid_u - (f->v.detector[0] * s[1] - f->v.detector[1] * s[0]) / scale;
        b.m0 = 1;
        b.t = atan2(-s[0], s[1]);
        return b;
    }
    c[0] = f->v.detector[0] - s[0];
    c[1] = f->v.detector[1] - s[1];
    if (f->curved) { u[0] = f->w[0] * pitch; u[1] = f->w[1] * pitch; }
    scale = -(u[1] * s[0] - u[0] * s[1]); /* depth of the axis: cross(u, S) with O - S = -S */
    b.mx = -u[1]; b.my = u[0]; b.m0 = u[1] * s[0] - u[0] * s[1]; /* cross(u, X - S) */
    b.nx = c[1]; b.ny = -c[0]; b.n0 = -(c[1] * s[0] - c[0] * s[1]); /* cross(X - S, C - S) */
    scale = b.m0;
    b.mx /= scale; b.my /= scale; b.m0 = 1;
    b.nx /= scale; b.ny /= scale; b.n0 /= scale;
    if (!f->curved) { /* bins are counted from the first */
        b.n0 += f->mid_u * b.m0;
        b.nx += f->mid_u * b.mx;
        b.ny += f->mid_u * b.my;
    }
    b.t = atan2(s[0], -s[1]);
    return b;
}

/* -- checks -- */

NRXI_FN nrx_status nrxi_ct_check_numbers(const nrx_ct_geometry *g, const char *who)
{
    const char *const name[] = {"pixel", "pixel_y", "pixel_z", "centre_x", "centre_y", "centre_z", "pitch", "pitch_v", "offset", "offset_v",
                                "sod", "sdd", "start", "step", "axis_shift", "tilt", "roll", "z_start", "helix_pitch"};
    double value[19];
    int i;
    value[0] = g->pixel; value[1] = g->pixel_y; value[2] = g->pixel_z;
    value[3] = g->centre_x; value[4] = g->centre_y; value[5] = g->centre_z;
    value[6] = g->pitch; value[7] = g->pitch_v; value[8] = g->offset; value[9] = g->offset_v;
    value[10] = g->sod; value[11] = g->sdd; value[12] = g->start; value[13] = g->step;
    value[14] = g->axis_shift; value[15] = g->tilt; value[16] = g->roll; value[17] = g->z_start; value[18] = g->helix_pitch;
    for (i = 0; i < 19; i++) {
        double v = value[i];
        if (!nrxi_finite_f64(&value[i]) || v > 1e12 || v < -1e12)
            return nrxi_fail(&g->env, NRX_E_ARG, "%s: %s is %g, expected a finite number", who, name[i], v);
        if ((i < 3 || i == 6 || i == 7) && v < 0)
            return nrxi_fail(&g->env, NRX_E_ARG, "%s: %s is %g, expected a positive length", who, name[i], v);
    }
    if (g->pixel < 1e-12) return nrxi_fail(&g->env, NRX_E_ARG, "%s: pixel is %g, expected a positive length", who, g->pixel);
    if (!nrxi_ct_by_vectors(g) && g->pitch < 1e-12)
        return nrxi_fail(&g->env, NRX_E_ARG, "%s: pitch is %g, expected a positive length", who, g->pitch);
    if (nrxi_ct_divergent(g) && !nrxi_ct_by_vectors(g)) {
        if (g->sod <= 0) return nrxi_fail(&g->env, NRX_E_ARG, "%s: sod is %g, expected a positive length", who, g->sod);
        if (g->sdd <= 0) return nrxi_fail(&g->env, NRX_E_ARG, "%s: sdd is %g, expected a positive length", who, g->sdd);
    }
    if (g->kind == NRX_CT_FAN_CURVED && (double)g->bins * g->pitch / g->sdd + 2 * fabs(g->offset / g->sdd) >= NRX_PI)
        return nrxi_fail(&g->env, NRX_E_ARG, "%s: the curved detector spans %g rad, expected less than pi", who,
                         (double)g->bins * g->pitch / g->sdd);
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_ct_check_sizes(const nrx_ct_geometry *g, const char *who)
{
    size_t n, bytes;
    int i;
    for (i = 0; i < 2; i++) {
        size_t a = i ? g->views : g->rows, b = i ? g->bins : g->cols, c = i ? nrxi_ct_bin_rows(g) : nrxi_ct_slices(g);
        if (a == 0 || b == 0)
            return nrxi_fail(&g->env, NRX_E_SHAPE, i ? "%s: sinogram has %zu views of %zu bins" : "%s: image has %zu rows of %zu cols", who, a, b);
        if (a > 0x3fffffff || b > 0x3fffffff || c > 0x3fffffff || !nrxi_mul_ok(a, b, &n) || !nrxi_mul_ok(n, c, &n) || !nrxi_mul_ok(n, 64, &bytes))
            return nrxi_fail(&g->env, NRX_E_RANGE, "%s: %s %zu x %zu x %zu is too large", who, i ? "sinogram" : "image", c, a, b);
    }
    return NRX_OK;
}

/* Every view's numbers are finite, its ray has a direction, and its source is outside the image. */
NRXI_FN nrx_status nrxi_ct_check_views(const nrx_ct_geometry *g, const char *who)
{
    nrxi_ct_grid q = nrxi_ct_grid_of(g);
    double half[3], centre[3];
    size_t i;
    int k;
    half[0] = 0.5 * q.hx * (double)g->cols;
    half[1] = 0.5 * q.hy * (double)g->rows;
    half[2] = 0.5 * q.hz * (double)nrxi_ct_slices(g);
    centre[0] = g->centre_x; centre[1] = g->centre_y; centre[2] = g->centre_z;
    for (i = 0; i < g->views; i++) {
        nrxi_ct_frame f;
        double t = nrx_ct_angle(g, i), size = 0;
        int inside = 1;
        if (!nrxi_finite_f64(&t) || fabs(t) > 1e9) return nrxi_fail(&g->env, NRX_E_ARG, "%s: angle of view %zu is %g", who, i, t);
        f = nrxi_ct_frame_of(g, i);
        if (!nrxi_all_finite(f.v.source, 3, NRX_F64) || !nrxi_all_finite(f.v.detector, 3, NRX_F64)
            || !nrxi_all_finite(f.v.u, 3, NRX_F64) || !nrxi_all_finite(f.v.v, 3, NRX_F64))
            return nrxi_fail(&g->env, NRX_E_ARG, "%s: the vectors of view %zu are not finite", who, i);
        for (k = 0; k < 3; k++) {
            size += f.divergent ? fabs(f.v.detector[k] - f.v.source[k]) : fabs(f.v.source[k]);
            if (fabs(f.v.source[k] - centre[k]) >= half[k] && (k < 2 || nrxi_ct_is_3d(g))) inside = 0;
        }
        if (!(size > 1e-12) && !f.curved) return nrxi_fail(&g->env, NRX_E_ARG, "%s: rays of view %zu have no direction", who, i);
        if (f.divergent && inside) return nrxi_fail(&g->env, NRX_E_ARG, "%s: the source of view %zu lies inside the image", who, i);
    }
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_ct_check(const nrx_ct_geometry *g, const char *who)
{
    nrx_status status;
    if (!g) return nrxi_fail(NULL, NRX_E_ARG, "%s: geometry is NULL", who);
    if (g->kind < NRX_CT_PARALLEL || g->kind > NRX_CT_VECTOR_DIVERGENT)
        return nrxi_fail(&g->env, NRX_E_ARG, "%s: geometry kind %d is unknown", who, g->kind);
    if (g->dtype != NRX_F32 && g->dtype != NRX_F64) return nrxi_fail(&g->env, NRX_E_ARG, "%s: dtype %d, expected NRX_F32 or NRX_F64", who, g->dtype);
    if (g->kernel < NRX_CT_JOSEPH || g->kernel > NRX_CT_AREA) return nrxi_fail(&g->env, NRX_E_ARG, "%s: kernel %d is unknown", who, g->kernel);
    if (nrxi_ct_by_vectors(g) && !g->vectors) return nrxi_fail(&g->env, NRX_E_ARG, "%s: a vector geometry needs vectors", who);
    if ((status = nrxi_ct_check_sizes(g, who)) != NRX_OK) return status;
    if ((status = nrxi_ct_check_numbers(g, who)) != NRX_OK) return status;
    if (nrxi_ct_is_3d(g) && g->kind == NRX_CT_FAN_CURVED)
        return nrxi_fail(&g->env, NRX_E_UNSUPPORTED, "%s: curved detectors have one row; a cone beam needs NRX_CT_FAN_FLAT", who);
    return nrxi_ct_check_views(g, who);
}

NRX_DEF nrx_status nrx_ct_geometry_check(const nrx_ct_geometry *g) { return nrxi_ct_check(g, "nrx_ct_geometry"); }

NRX_DEF size_t nrx_ct_image_size(const nrx_ct_geometry *g)
{
    size_t n;
    return g && nrxi_mul_ok(g->rows, g->cols, &n) && nrxi_mul_ok(n, nrxi_ct_slices(g), &n) ? n : 0;
}

NRX_DEF size_t nrx_ct_sino_size(const nrx_ct_geometry *g)
{
    size_t n;
    return g && nrxi_mul_ok(g->views, g->bins, &n) && nrxi_mul_ok(n, nrxi_ct_bin_rows(g), &n) ? n : 0;
}

NRX_DEF nrx_ct_geometry nrx_ct_geometry_subset(const nrx_ct_geometry *g, size_t first, size_t step, size_t count)
{
    nrx_ct_geometry s = *g;
    size_t left;
    if (step == 0) step = 1;
    left = first < g->views ? (g->views - first - 1) / step + 1 : 0;
    s.views = count && count < left ? count : left;
    if (s.angles && s.views) s.angles += first * nrxi_ct_stride(g);
    if (s.vectors && s.views) s.vectors += first * nrxi_ct_stride(g);
    s.stride = nrxi_ct_stride(g) * step;
    s.start = g->start + (double)first * g->step;
    s.step = g->step * (double)step;
    s.z_start = s.views ? g->z_start + g->helix_pitch * (nrx_ct_angle(g, first) - nrx_ct_angle(g, 0)) / (2 * NRX_PI) : g->z_start;
    s.owned = NULL;
    return s;
}

NRX_DEF nrx_status nrx_ct_sino_subset(const nrx_ct_geometry *g, const void *sino, size_t first, size_t step, size_t count, void *out)
{
    nrx_ct_geometry s;
    size_t i, bytes;
    nrx_status status = nrxi_ct_check(g, "nrx_ct_sino_subset");
    if (status != NRX_OK) return status;
    if (!sino || !out) return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_sino_subset: array is NULL");
    s = nrx_ct_geometry_subset(g, first, step, count);
    if (s.views == 0) return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_sino_subset: first view %zu of %zu", first, g->views);
    bytes = g->bins * nrxi_ct_bin_rows(g) * nrxi_dtype_size(g->dtype);
    for (i = 0; i < s.views; i++)
        memcpy((unsigned char *)out + i * bytes, (const unsigned char *)sino + (first + i * (step ? step : 1)) * bytes, bytes);
    return NRX_OK;
}

/* ==== projectors in two dimensions ====

   A ray is followed line by line: rows of the image when it runs more along y, columns (rows of the transposed image) when more along
   x. At line l it passes at position a + b l counted in pixels along the line, |b| <= 1, and every line adds the same length w:
       p = w sum over lines of (1-f) x[i] + f x[i+1],   i = floor(a + b l).
   Joseph: f is the fraction. Siddon: within the line the ray covers an interval of length m = |b|; with a moved to its left end,
   f = max(0, fraction - (1-m)) / m is the part of it that lies in pixel i+1. So one pair (i, f) serves both, forward and adjoint.

   Rays of one view are handled in runs of bins that go along the same axis and whose positions grow along the run, so that on
   each line the rays that hit the image are consecutive. Lines are stored with two zeros in front and behind, which takes the
   border cases out of the inner loops; positions are counted from the first of these zeros, so that truncation is floor. */

#define NRXI_CT_RUN 512    /* most rays of a run: their coefficients live on the stack */
#define NRXI_CT_PAD 2      /* zeros on each side of a line */
#define NRXI_CT_SLACK 24   /* elements behind the last line that vector loads may touch */

typedef struct nrxi_ct_run {
    size_t first, n;        /* bins first .. first+n-1 */
    int    by_columns;      /* lines are columns of the image */
    int    reversed;        /* entry k belongs to bin first+n-1-k, else to first+k */
    double a[NRXI_CT_RUN], b[NRXI_CT_RUN], w[NRXI_CT_RUN];
} nrxi_ct_run;

/* Coefficients of the ray at fractional bin position `bin` along the given lines. */
NRXI_FN void nrxi_ct_line_coefficients(const nrxi_ct_grid *q, const double p[3], const double d[3], int by_columns, double *a, double *b, double *w)
{
    if (by_columns) {
        double m = d[1] / d[0];
        *a = (q->y0 - p[1] - (q->x0 - p[0]) * m) / q->hy;
        *b = -q->hx * m / q->hy;
        *w = q->hx * sqrt(1 + m * m);
    } else {
        double m = d[0] / d[1];
        *a = (p[0] + (q->y0 - p[1]) * m - q->x0) / q->hx;
        *b = -q->hy * m / q->hx;
        *w = q->hy * sqrt(1 + m * m);
    }
}

/* Whether the part of the ray's line that crosses the image lies behind the source (which is outside the image). */
NRXI_FN int nrxi_ct_behind(const nrx_ct_geometry *g, const nrxi_ct_grid *q, const double p[3], const double d[3], int by_columns, double a, double b)
{
    double lines = by_columns ? (double)g->cols : (double)g->rows, along = by_columns ? (double)g->rows : (double)g->cols;
    double lo = -0.5, hi = lines - 0.5, mid;
    if (b != 0) {
        double l0 = (-0.5 - a) / b, l1 = (along - 0.5 - a) / b;
        if (l0 > l1) { double swap = l0; l0 = l1; l1 = swap; }
        if (l0 > lo) lo = l0;
        if (l1 < hi) hi = l1;
    }
    mid = 0.5 * (lo + hi);
    return by_columns ? (q->x0 + mid * q->hx - p[0]) * d[0] <= 0 : (q->y0 - mid * q->hy - p[1]) * d[1] <= 0;
}

/* Whether every corner of the image lies ahead of the source for all rays between two directions. */
NRXI_FN int nrxi_ct_all_ahead(const nrx_ct_geometry *g, const nrxi_ct_grid *q, const double p[3], const double d0[3], const double d1[3])
{
    double n0 = sqrt(d0[0] * d0[0] + d0[1] * d0[1]), n1 = sqrt(d1[0] * d1[0] + d1[1] * d1[1]);
    double e[2];
    int k;
    e[0] = d0[0] / n0 + d1[0] / n1;
    e[1] = d0[1] / n0 + d1[1] / n1;
    if (d0[0] * e[0] + d0[1] * e[1] <= 0 || d1[0] * e[0] + d1[1] * e[1] <= 0) return 0;
    for (k = 0; k < 4; k++) {
        double x = q->x0 + q->hx * (k & 1 ? (double)g->cols - 0.5 : -0.5), y = q->y0 - q->hy * (k & 2 ? (double)g->rows - 0.5 : -0.5);
        if ((x - p[0]) * e[0] + (y - p[1]) * e[1] <= 0) return 0;
    }
    return 1;
}

NRXI_FN int nrxi_ct_goes_by_columns(const nrxi_ct_grid *q, const double d[3]) { return fabs(d[0]) * q->hy > fabs(d[1]) * q->hx; }

/* Puts the coefficients into growing order along the lines. */
NRXI_FN void nrxi_ct_run_order(nrxi_ct_run *r, double lines)
{
    double mid = 0.5 * (lines - 1);
    size_t k, n = r->n;
    r->reversed = n > 1 && r->a[0] + r->b[0] * mid > r->a[n - 1] + r->b[n - 1] * mid;
    if (!r->reversed) return;
    for (k = 0; k < n / 2; k++) {
        double t;
        t = r->a[k]; r->a[k] = r->a[n - 1 - k]; r->a[n - 1 - k] = t;
        t = r->b[k]; r->b[k] = r->b[n - 1 - k]; r->b[n - 1 - k] = t;
        t = r->w[k]; r->w[k] = r->w[n - 1 - k]; r->w[n - 1 - k] = t;
    }
}

/* Parallel rays: all share b and w, and a grows by a constant. */
NRXI_FN void nrxi_ct_run_parallel(const nrx_ct_geometry *g, const nrxi_ct_grid *q, const nrxi_ct_frame *f, size_t first, nrxi_ct_run *r)
{
    double p[3], d[3], a0, a1, b, w, far = g->bins > 1 ? (double)(g->bins - 1) : 1; /* the last bin: rounding does not grow along the row */
    size_t k;
    r->n = g->bins - first < NRXI_CT_RUN ? g->bins - first : NRXI_CT_RUN;
    nrxi_ct_ray(f, 0, f->mid_v, p, d);
    r->by_columns = nrxi_ct_goes_by_columns(q, d);
    nrxi_ct_line_coefficients(q, p, d, r->by_columns, &a0, &b, &w);
    nrxi_ct_ray(f, far, f->mid_v, p, d);
    nrxi_ct_line_coefficients(q, p, d, r->by_columns, &a1, &b, &w);
    for (k = 0; k < r->n; k++) {
        r->a[k] = a0 + (double)(first + k) * ((a1 - a0) / far);
        r->b[k] = b;
        r->w[k] = w;
    }
}

/* Slopes m = (da + k ua) / (db + k ub), and from them the coefficients. */
typedef struct nrxi_ct_flat { double da, ua, db, ub, base, a, b, length; } nrxi_ct_flat;

NRXI_FN void nrxi_ct_flat_plain(const nrxi_ct_flat *c, size_t k, nrxi_ct_run *r)
{
    for (; k < r->n; k++) {
        double m = (c->da + (double)k * c->ua) / (c->db + (double)k * c->ub);
        r->a[k] = c->base + c->a * m;
        r->b[k] = c->b * m;
        r->w[k] = c->length * sqrt(1 + m * m);
    }
}

#if defined(NRXI_X86)
NRXI_AVX2 NRXI_FN void nrxi_ct_flat_avx2(const nrxi_ct_flat *c, nrxi_ct_run *r)
{
    nrxi_f64x4 k4 = {0, 1, 2, 3}, one = {1, 1, 1, 1}, four = {4, 4, 4, 4}, da = {c->da, c->da, c->da, c->da}, ua = {c->ua, c->ua, c->ua, c->ua};
    nrxi_f64x4 db = {c->db, c->db, c->db, c->db}, ub = {c->ub, c->ub, c->ub, c->ub}, base = {c->base, c->base, c->base, c->base};
    nrxi_f64x4 a = {c->a, c->a, c->a, c->a}, b = {c->b, c->b, c->b, c->b}, length = {c->length, c->length, c->length, c->length};
    size_t k;
    for (k = 0; k + 4 <= r->n; k += 4, k4 += four) {
        nrxi_f64x4 m = (da + k4 * ua) / (db + k4 * ub);
        *(nrxi_f64x4u *)(r->a + k) = base + a * m;
        *(nrxi_f64x4u *)(r->b + k) = b * m;
        *(nrxi_f64x4u *)(r->w + k) = length * __builtin_ia32_sqrtpd256(one + m * m);
    }
    nrxi_ct_flat_plain(c, k, r);
}
#endif

/* Coefficients of rays p + t (d0 + k du), k = 0 .. n-1, none along the lines: the inner loop of fan beams. */
NRXI_FN void nrxi_ct_run_flat(const nrxi_ct_grid *q, const double p[3], const double d0[3], const double du[3], nrxi_ct_run *r)
{
    int along = r->by_columns ? 1 : 0; /* the axis of positions on a line */
    double step = r->by_columns ? q->hx : -q->hy, unit = r->by_columns ? -1 / q->hy : 1 / q->hx; /* to the next line; pixels per length */
    double lead = r->by_columns ? q->x0 - p[0] : q->y0 - p[1], base = r->by_columns ? (p[1] - q->y0) * unit : (p[0] - q->x0) * unit;
    double da = d0[along], db = d0[1 - along], ua = du[along], ub = du[1 - along], length = fabs(step);
    nrxi_ct_flat c;
    c.da = da; c.ua = ua; c.db = db; c.ub = ub; c.base = base; c.a = lead * unit; c.b = step * unit; c.length = length;
#if defined(NRXI_X86)
    if (nrxi_cpu_avx2()) { nrxi_ct_flat_avx2(&c, r); return; }
#endif
    nrxi_ct_flat_plain(&c, 0, r);
}

/* Rays from a point: as many bins as go along the same axis in the same sense. */
NRXI_FN void nrxi_ct_run_divergent(const nrx_ct_geometry *g, const nrxi_ct_grid *q, const nrxi_ct_frame *f, size_t first, nrxi_ct_run *r)
{
    const double *du = f->v.u; /* from bin to bin, unless the detector is curved */
    double p[3], d[3], d0[3];
    int sign;
    size_t j, k;
    nrxi_ct_ray(f, (double)first, f->mid_v, p, d0);
    memcpy(d, d0, sizeof d);
    r->by_columns = nrxi_ct_goes_by_columns(q, d0);
    sign = d0[!r->by_columns] > 0;
    for (j = first + 1; j < g->bins && j < first + NRXI_CT_RUN; j++) {
        if (f->curved) nrxi_ct_ray(f, (double)j, f->mid_v, p, d);
        else { d[0] = d0[0] + (double)(j - first) * du[0]; d[1] = d0[1] + (double)(j - first) * du[1]; }
        if (nrxi_ct_goes_by_columns(q, d) != r->by_columns || (d[!r->by_columns] > 0) != sign) break;
    }
    r->n = j - first;
    if (f->curved || (d0[0] == 0 && d0[1] == 0) || (d[0] == 0 && d[1] == 0))
        for (k = 0; k < r->n; k++) {
            nrxi_ct_ray(f, (double)(first + k), f->mid_v, p, d);
            if (d[0] == 0 && d[1] == 0) { r->a[k] = -1e6; r->b[k] = r->w[k] = 0; } /* a bin at the source */
            else nrxi_ct_line_coefficients(q, p, d, r->by_columns, &r->a[k], &r->b[k], &r->w[k]);
        }
    else nrxi_ct_run_flat(q, p, d0, du, r);
    nrxi_ct_ray(f, (double)(first + r->n - 1), f->mid_v, p, d);
    if (nrxi_ct_all_ahead(g, q, p, d0, d)) return;
    for (k = 0; k < r->n; k++) {
        nrxi_ct_ray(f, (double)(first + k), f->mid_v, p, d);
        if (nrxi_ct_behind(g, q, p, d, r->by_columns, r->a[k], r->b[k])) r->w[k] = 0;
    }
}

/* Fills the run that starts at bin `first`. */
NRXI_FN void nrxi_ct_run_fill(const nrx_ct_geometry *g, const nrxi_ct_grid *q, const nrxi_ct_frame *f, size_t first, nrxi_ct_run *r)
{
    double lines;
    r->first = first;
    if (f->divergent) nrxi_ct_run_divergent(g, q, f, first, r);
    else nrxi_ct_run_parallel(g, q, f, first, r);
    lines = r->by_columns ? (double)g->cols : (double)g->rows;
    nrxi_ct_run_order(r, lines);
}

/* The working form of a run in the data's precision; q and s turn the fraction into f, unused for Joseph. */
typedef struct nrxi_ct_rays_f64 { size_t n; int siddon; double a[NRXI_CT_RUN], b[NRXI_CT_RUN], w[NRXI_CT_RUN], q[NRXI_CT_RUN], s[NRXI_CT_RUN]; } nrxi_ct_rays_f64;
typedef struct nrxi_ct_rays_f32 { size_t n; int siddon; float a[NRXI_CT_RUN], b[NRXI_CT_RUN], w[NRXI_CT_RUN], q[NRXI_CT_RUN], s[NRXI_CT_RUN]; } nrxi_ct_rays_f32;

/* Inner loops over the rays j0 .. j1-1 of one line. Gather: acc[j] += (1-f) line[i] + f line[i+1]. Scatter, its transpose, keeps the
   contributions to pixel i and to its right neighbour apart: pair[2i] += (1-f) y[j], pair[2i+1] += f y[j]. Rays a pixel or more
   apart then touch different memory, and no load waits for the store before it. */
/* >>> twin f64 */
NRXI_FN void nrxi_ct_gather_plain_f64(const nrxi_ct_rays_f64 *r, double l, size_t j0, size_t j1, const double *line, double *acc)
{
    size_t j;
    if (r->siddon) {
        for (j = j0; j < j1; j++) {
            double k = r->a[j] + r->b[j] * l, f;
            int i = (int)k;
            f = k - (double)i - r->q[j];
            f = f > (double)0 ? f * r->s[j] : (double)0;
            acc[j] += line[i] + f * (line[i + 1] - line[i]);
        }
        return;
    }
    for (j = j0; j < j1; j++) {
        double k = r->a[j] + r->b[j] * l, f;
        int i = (int)k;
        f = k - (double)i;
        acc[j] += line[i] + f * (line[i + 1] - line[i]);
    }
}

NRXI_FN void nrxi_ct_scatter_plain_f64(const nrxi_ct_rays_f64 *r, double l, size_t j0, size_t j1, double *pair, const double *y)
{
    size_t j;
    for (j = j0; j < j1; j++) {
        double k = r->a[j] + r->b[j] * l, f, *p;
        int i = (int)k;
        f = k - (double)i;
        if (r->siddon) {
            f -= r->q[j];
            f = f > (double)0 ? f * r->s[j] : (double)0;
        }
        f *= y[j];
        p = pair + 2 * i;
        p[0] += y[j] - f;
        p[1] += f;
    }
}
/* === twin f32 */
NRXI_FN void nrxi_ct_gather_plain_f32(const nrxi_ct_rays_f32 *r, float l, size_t j0, size_t j1, const float *line, float *acc)
{
    size_t j;
    if (r->siddon) {
        for (j = j0; j < j1; j++) {
            float k = r->a[j] + r->b[j] * l, f;
            int i = (int)k;
            f = k - (float)i - r->q[j];
            f = f > (float)0 ? f * r->s[j] : (float)0;
            acc[j] += line[i] + f * (line[i + 1] - line[i]);
        }
        return;
    }
    for (j = j0; j < j1; j++) {
        float k = r->a[j] + r->b[j] * l, f;
        int i = (int)k;
        f = k - (float)i;
        acc[j] += line[i] + f * (line[i + 1] - line[i]);
    }
}

NRXI_FN void nrxi_ct_scatter_plain_f32(const nrxi_ct_rays_f32 *r, float l, size_t j0, size_t j1, float *pair, const float *y)
{
    size_t j;
    for (j = j0; j < j1; j++) {
        float k = r->a[j] + r->b[j] * l, f, *p;
        int i = (int)k;
        f = k - (float)i;
        if (r->siddon) {
            f -= r->q[j];
            f = f > (float)0 ? f * r->s[j] : (float)0;
        }
        f *= y[j];
        p = pair + 2 * i;
        p[0] += y[j] - f;
        p[1] += f;
    }
}
/* <<< twin */
NRXI_FN void nrxi_ct_gather_f64(const nrxi_ct_rays_f64 *r, double l, size_t j0, size_t j1, const double *line, double *acc)
{
    nrxi_ct_gather_plain_f64(r, l, j0, j1, line, acc);
}
NRXI_FN void nrxi_ct_scatter_f64(const nrxi_ct_rays_f64 *r, double l, size_t j0, size_t j1, double *pair, const double *y)
{
    nrxi_ct_scatter_plain_f64(r, l, j0, j1, pair, y);
}

#if defined(NRXI_X86)
#define NRXI_CT_SPLAT(x) {x, x, x, x, x, x, x, x}
#define NRXI_CT_LOAD(p) (*(const nrxi_f32x8u *)(p))
#define NRXI_CT_ABS(x) ((nrxi_f32x8)((nrxi_i32x8)(x) & 0x7fffffff))
/* p[i[0]] ... p[i[7]] for 0 <= i <= 7, and for 0 <= i <= 15 with sel = i << 28: loads and permutations replace a gather. */
#define NRXI_CT_PICK8(p, i) __builtin_ia32_permvarsf256(NRXI_CT_LOAD(p), i)
#define NRXI_CT_PICK16(p, i, sel) __builtin_ia32_blendvps256(NRXI_CT_PICK8(p, i), NRXI_CT_PICK8((p) + 8, i), (nrxi_f32x8)(sel))

/* a gather of all eight; `none` and `all` are its background and mask */
#if defined(__clang__)
#define NRXI_CT_GATHER(p, i) __builtin_ia32_gatherd_ps256(none, p, i, (nrxi_f32x8)all, 4)
#else
#define NRXI_CT_GATHER(p, i) __builtin_ia32_gathersiv8sf(none, p, i, (nrxi_f32x8)all, 4)
#endif

/* Eight rays at once; `narrow`: any eight neighbours pass the line within 14 pixels. */
NRXI_AVX2 NRXI_FN void nrxi_ct_gather_avx2(const nrxi_ct_rays_f32 *r, float l, size_t j0, size_t j1, int narrow, const float *line, float *acc)
{
    nrxi_f32x8 lv = NRXI_CT_SPLAT(l), none = NRXI_CT_SPLAT(0.0f);
    nrxi_i32x8 all = NRXI_CT_SPLAT(-1);
    size_t j = j0;
    for (; j + 8 <= j1; j += 8) {
        nrxi_f32x8 k = NRXI_CT_LOAD(r->a + j) + NRXI_CT_LOAD(r->b + j) * lv, f, lo, hi;
        nrxi_i32x8 i = __builtin_convertvector(k, nrxi_i32x8), sel;
        const float *p = line + i[0];
        f = k - __builtin_convertvector(i, nrxi_f32x8);
        if (narrow) {
            i -= i[0];
            sel = i << 28;
            lo = NRXI_CT_PICK16(p, i, sel);
            hi = NRXI_CT_PICK16(p + 1, i, sel);
        } else {
            lo = NRXI_CT_GATHER(line, i);
            hi = NRXI_CT_GATHER(line + 1, i);
        }
        *(nrxi_f32x8u *)(acc + j) += lo + f * (hi - lo);
    }
    for (; j < j1; j++) {
        float k = r->a[j] + r->b[j] * l, f;
        int i = (int)k;
        f = k - (float)i;
        acc[j] += line[i] + f * (line[i + 1] - line[i]);
    }
}

#endif

NRXI_FN void nrxi_ct_gather_f32(const nrxi_ct_rays_f32 *r, float l, size_t j0, size_t j1, const float *line, float *acc)
{
#if defined(NRXI_X86)
    if (!r->siddon && j1 - j0 >= 8 && nrxi_cpu_avx2()) { /* distances on a line are largest at one end */
        float first = r->a[j0 + 7] - r->a[j0] + (r->b[j0 + 7] - r->b[j0]) * l, last = r->a[j1 - 1] - r->a[j1 - 8] + (r->b[j1 - 1] - r->b[j1 - 8]) * l;
        nrxi_ct_gather_avx2(r, l, j0, j1, first < 13.9f && last < 13.9f, line, acc);
        return;
    }
#endif
    nrxi_ct_gather_plain_f32(r, l, j0, j1, line, acc);
}

NRXI_FN void nrxi_ct_scatter_f32(const nrxi_ct_rays_f32 *r, float l, size_t j0, size_t j1, float *pair, const float *y)
{
    nrxi_ct_scatter_plain_f32(r, l, j0, j1, pair, y);
}

/* >>> twin f64 */
NRXI_FN void nrxi_ct_rays_from_f64(const nrxi_ct_run *run, int siddon, nrxi_ct_rays_f64 *r)
{
    size_t k;
    r->n = run->n;
    r->siddon = siddon;
    for (k = 0; k < run->n; k++) {
        r->a[k] = (double)(run->a[k] + NRXI_CT_PAD);
        r->b[k] = (double)run->b[k];
        r->w[k] = (double)run->w[k];
    }
    if (!siddon) return;
    for (k = 0; k < run->n; k++) {
        nrxi_ct_wide m = nrxi_ct_wide_abs(run->b[k]);
        r->a[k] = (double)(run->a[k] + NRXI_CT_PAD + 0.5 * (1 - m));
        r->q[k] = m > 1e-6 ? (double)(1 - m) : (double)1;
        r->s[k] = m > 1e-6 ? (double)(1 / m) : (double)0;
    }
}

/* Narrows or widens j0, j1 to the rays that pass line l at a position inside (lo, hi); positions grow with j. */
NRXI_FN void nrxi_ct_span_f64(const nrxi_ct_rays_f64 *r, double l, double lo, double hi, size_t *j0, size_t *j1)
{
    size_t a = *j0, b = *j1;
    while (a < r->n && !(r->a[a] + r->b[a] * l > lo)) a++;
    while (a > 0 && r->a[a - 1] + r->b[a - 1] * l > lo) a--;
    if (b < a) b = a;
    while (b > a && !(r->a[b - 1] + r->b[b - 1] * l < hi)) b--;
    while (b < r->n && r->a[b] + r->b[b] * l < hi) b++;
    *j0 = a;
    *j1 = b;
}

/* sums[j] = sum over all lines, folded every 64 lines into wide sums. */
NRXI_FN void nrxi_ct_run_forward_f64(const nrxi_ct_rays_f64 *r, const double *lines, size_t n_lines, size_t along, nrxi_ct_wide *sums)
{
    double acc[NRXI_CT_RUN];
    size_t l, l0, j, j0 = 0, j1 = 0, stride = along + 2 * NRXI_CT_PAD;
    double lo = (double)(NRXI_CT_PAD - 1), hi = (double)(along + NRXI_CT_PAD);
    for (j = 0; j < r->n; j++) sums[j] = 0;
    for (l0 = 0; l0 < n_lines; l0 += 64) {
        size_t l1 = l0 + 64 < n_lines ? l0 + 64 : n_lines;
        for (j = 0; j < r->n; j++) acc[j] = 0;
        for (l = l0; l < l1; l++) {
            nrxi_ct_span_f64(r, (double)l, lo, hi, &j0, &j1);
            nrxi_ct_gather_f64(r, (double)l, j0, j1, lines + l * stride, acc);
        }
        for (j = 0; j < r->n; j++) sums[j] += (nrxi_ct_wide)acc[j];
    }
}

/* pairs[l] += transpose of the above for lines l0 .. l1-1; y already carries the weights w. */
NRXI_FN void nrxi_ct_run_adjoint_f64(const nrxi_ct_rays_f64 *r, const double *y, size_t l0, size_t l1, size_t along, double *pairs)
{
    size_t l, j0 = 0, j1 = 0, stride = 2 * (along + 2 * NRXI_CT_PAD);
    double lo = (double)(NRXI_CT_PAD - 1), hi = (double)(along + NRXI_CT_PAD);
    for (l = l0; l < l1; l++) {
        nrxi_ct_span_f64(r, (double)l, lo, hi, &j0, &j1);
        nrxi_ct_scatter_f64(r, (double)l, j0, j1, pairs + l * stride, y);
    }
}

/* === twin f32 */
NRXI_FN void nrxi_ct_rays_from_f32(const nrxi_ct_run *run, int siddon, nrxi_ct_rays_f32 *r)
{
    size_t k;
    r->n = run->n;
    r->siddon = siddon;
    for (k = 0; k < run->n; k++) {
        r->a[k] = (float)(run->a[k] + NRXI_CT_PAD);
        r->b[k] = (float)run->b[k];
        r->w[k] = (float)run->w[k];
    }
    if (!siddon) return;
    for (k = 0; k < run->n; k++) {
        nrxi_ct_wide m = nrxi_ct_wide_abs(run->b[k]);
        r->a[k] = (float)(run->a[k] + NRXI_CT_PAD + 0.5 * (1 - m));
        r->q[k] = m > 1e-6 ? (float)(1 - m) : (float)1;
        r->s[k] = m > 1e-6 ? (float)(1 / m) : (float)0;
    }
}

/* Narrows or widens j0, j1 to the rays that pass line l at a position inside (lo, hi); positions grow with j. */
NRXI_FN void nrxi_ct_span_f32(const nrxi_ct_rays_f32 *r, float l, float lo, float hi, size_t *j0, size_t *j1)
{
    size_t a = *j0, b = *j1;
    while (a < r->n && !(r->a[a] + r->b[a] * l > lo)) a++;
    while (a > 0 && r->a[a - 1] + r->b[a - 1] * l > lo) a--;
    if (b < a) b = a;
    while (b > a && !(r->a[b - 1] + r->b[b - 1] * l < hi)) b--;
    while (b < r->n && r->a[b] + r->b[b] * l < hi) b++;
    *j0 = a;
    *j1 = b;
}

/* sums[j] = sum over all lines, folded every 64 lines into wide sums. */
NRXI_FN void nrxi_ct_run_forward_f32(const nrxi_ct_rays_f32 *r, const float *lines, size_t n_lines, size_t along, nrxi_ct_wide *sums)
{
    float acc[NRXI_CT_RUN];
    size_t l, l0, j, j0 = 0, j1 = 0, stride = along + 2 * NRXI_CT_PAD;
    float lo = (float)(NRXI_CT_PAD - 1), hi = (float)(along + NRXI_CT_PAD);
    for (j = 0; j < r->n; j++) sums[j] = 0;
    for (l0 = 0; l0 < n_lines; l0 += 64) {
        size_t l1 = l0 + 64 < n_lines ? l0 + 64 : n_lines;
        for (j = 0; j < r->n; j++) acc[j] = 0;
        for (l = l0; l < l1; l++) {
            nrxi_ct_span_f32(r, (float)l, lo, hi, &j0, &j1);
            nrxi_ct_gather_f32(r, (float)l, j0, j1, lines + l * stride, acc);
        }
        for (j = 0; j < r->n; j++) sums[j] += (nrxi_ct_wide)acc[j];
    }
}

/* pairs[l] += transpose of the above for lines l0 .. l1-1; y already carries the weights w. */
NRXI_FN void nrxi_ct_run_adjoint_f32(const nrxi_ct_rays_f32 *r, const float *y, size_t l0, size_t l1, size_t along, float *pairs)
{
    size_t l, j0 = 0, j1 = 0, stride = 2 * (along + 2 * NRXI_CT_PAD);
    float lo = (float)(NRXI_CT_PAD - 1), hi = (float)(along + NRXI_CT_PAD);
    for (l = l0; l < l1; l++) {
        nrxi_ct_span_f32(r, (float)l, lo, hi, &j0, &j1);
        nrxi_ct_scatter_f32(r, (float)l, j0, j1, pairs + l * stride, y);
    }
}

/* <<< twin */

/* -- area kernel: the mean of the image over the strip between the edges of a bin --

   On a line, an edge (the ray between two bins) passes at position e and drifts by its slope within the line, so it covers the
   interval [e - s/2, e + s/2], s <= 1. The mean part of pixel i left of it, with a = e - s/2 - i in [0, 1):
       L_i = a + s/2 - L_{i+1},   L_{i+1} = max(0, a + s - 1)^2 / (2 s),   1 for pixels further left.
   The strip's share of pixel c is L_c(right edge) - L_c(left edge); divided by the width of the strip on the line it gives the mean
   across the bin, times the length w of the central ray. Parallel beams conserve mass exactly: neighbouring bins share an edge. */

/* >>> twin f64 */
typedef struct nrxi_ct_strips_f64 {
    size_t n;                          /* bins; edges 0 .. n */
    double a[NRXI_CT_RUN + 9], b[NRXI_CT_RUN + 9]; /* position e - s/2 on line 0, counted from the padding; drift per line */
    double s[NRXI_CT_RUN + 9], h[NRXI_CT_RUN + 9]; /* s and 1 / (2 s), 0 for s = 0; the last edge fills the rest */
    double w[NRXI_CT_RUN];
} nrxi_ct_strips_f64;

NRXI_FN void nrxi_ct_strips_fill_f64(const nrxi_ct_grid *q, const nrxi_ct_frame *f, const nrxi_ct_run *run, nrxi_ct_strips_f64 *t)
{
    size_t k;
    t->n = run->n;
    for (k = 0; k <= run->n; k++) {
        nrxi_ct_wide point[3], dir[3], a, b, w, m;
        nrxi_ct_ray(f, (run->reversed ? (nrxi_ct_wide)(run->first + run->n - k) : (nrxi_ct_wide)(run->first + k)) - 0.5, f->mid_v, point, dir);
        nrxi_ct_line_coefficients(q, point, dir, run->by_columns, &a, &b, &w);
        m = nrxi_ct_wide_abs(b);
        t->a[k] = (double)(a + NRXI_CT_PAD + 0.5 * (1 - m));
        t->b[k] = (double)b;
        t->s[k] = (double)m;
        t->h[k] = m > 1e-6 ? (double)(0.5 / m) : (double)0;
    }
    for (; k <= run->n + 8; k++) { t->a[k] = t->a[run->n]; t->b[k] = t->b[run->n]; t->s[k] = t->s[run->n]; t->h[k] = t->h[run->n]; }
    for (k = 0; k < run->n; k++) t->w[k] = (double)run->w[k];
}

/* First and last bin of the run that may touch a line: low ends of edges between lo and hi. */
NRXI_FN void nrxi_ct_strips_span_f64(const nrxi_ct_strips_f64 *t, double l, double lo, double hi, size_t *j0, size_t *j1)
{
    size_t a = *j0, b = *j1;
    while (a < t->n && !(t->a[a + 1] + t->b[a + 1] * l + t->s[a + 1] > lo)) a++;
    while (a > 0 && t->a[a] + t->b[a] * l + t->s[a] > lo) a--;
    if (b < a) b = a;
    while (b > a && !(t->a[b - 1] + t->b[b - 1] * l < hi)) b--;
    while (b < t->n && t->a[b] + t->b[b] * l < hi) b++;
    *j0 = a;
    *j1 = b;
}

/* Edge k on line l: pixel i and the parts of pixels i and i+1 left of it. Edges off the line are moved to its border. */
NRXI_FN int nrxi_ct_edge_f64(const nrxi_ct_strips_f64 *t, size_t k, double l, double lo, double hi, double part[2])
{
    double e = t->a[k] + t->b[k] * l, over;
    int i;
    if (!(e > lo)) { part[0] = part[1] = (double)0; return (int)lo; }
    if (!(e < hi)) { part[0] = part[1] = (double)0; return (int)hi; }
    i = (int)e;
    e -= (double)i;
    over = e + t->s[k] - (double)1;
    over = over > (double)0 ? over * over * t->h[k] : (double)0;
    part[0] = e + (double)0.5 * t->s[k] - over;
    part[1] = over;
    return i;
}

NRXI_FN void nrxi_ct_strips_gather_plain_f64(const nrxi_ct_strips_f64 *t, double l, size_t j0, size_t j1, double lo, double hi, const double *line, double *acc)
{
    double left[2], right[2];
    size_t j;
    int i, c, k;
    if (j0 >= j1) return;
    i = nrxi_ct_edge_f64(t, j0, l, lo, hi, left);
    for (j = j0; j < j1; j++) {
        double width = t->a[j + 1] - t->a[j] + (double)0.5 * (t->s[j + 1] - t->s[j]) + (t->b[j + 1] - t->b[j]) * l, sum;
        k = nrxi_ct_edge_f64(t, j + 1, l, lo, hi, right);
        sum = line[k] * right[0] + line[k + 1] * right[1] - line[i] * left[0] - line[i + 1] * left[1];
        for (c = i; c < k; c++) sum += line[c];
        acc[j] += sum / width;
        i = k;
        left[0] = right[0];
        left[1] = right[1];
    }
}

NRXI_FN void nrxi_ct_strips_scatter_plain_f64(const nrxi_ct_strips_f64 *t, double l, size_t j0, size_t j1, double lo, double hi, double *pair, const double *y)
{
    double part[2], before = 0;
    size_t j;
    int i, c, k;
    if (j0 >= j1) return;
    i = nrxi_ct_edge_f64(t, j0, l, lo, hi, part);
    for (j = j0; j <= j1; j++) { /* an edge adds to the strip on its left what it takes from the one on its right */
        double now = 0, change;
        if (j < j1) now = y[j] / (t->a[j + 1] - t->a[j] + (double)0.5 * (t->s[j + 1] - t->s[j]) + (t->b[j + 1] - t->b[j]) * l);
        change = before - now;
        pair[2 * i] += change * part[0];
        pair[2 * i + 1] += change * part[1];
        before = now;
        if (j == j1) break;
        k = nrxi_ct_edge_f64(t, j + 1, l, lo, hi, part);
        for (c = i; c < k; c++) pair[2 * c] += now;
        i = k;
    }
}
/* === twin f32 */
typedef struct nrxi_ct_strips_f32 {
    size_t n;                          /* bins; edges 0 .. n */
    float a[NRXI_CT_RUN + 9], b[NRXI_CT_RUN + 9]; /* position e - s/2 on line 0, counted from the padding; drift per line */
    float s[NRXI_CT_RUN + 9], h[NRXI_CT_RUN + 9]; /* s and 1 / (2 s), 0 for s = 0; the last edge fills the rest */
    float w[NRXI_CT_RUN];
} nrxi_ct_strips_f32;

NRXI_FN void nrxi_ct_strips_fill_f32(const nrxi_ct_grid *q, const nrxi_ct_frame *f, const nrxi_ct_run *run, nrxi_ct_strips_f32 *t)
{
    size_t k;
    t->n = run->n;
    for (k = 0; k <= run->n; k++) {
        nrxi_ct_wide point[3], dir[3], a, b, w, m;
        nrxi_ct_ray(f, (run->reversed ? (nrxi_ct_wide)(run->first + run->n - k) : (nrxi_ct_wide)(run->first + k)) - 0.5, f->mid_v, point, dir);
        nrxi_ct_line_coefficients(q, point, dir, run->by_columns, &a, &b, &w);
        m = nrxi_ct_wide_abs(b);
        t->a[k] = (float)(a + NRXI_CT_PAD + 0.5 * (1 - m));
        t->b[k] = (float)b;
        t->s[k] = (float)m;
        t->h[k] = m > 1e-6 ? (float)(0.5 / m) : (float)0;
    }
    for (; k <= run->n + 8; k++) { t->a[k] = t->a[run->n]; t->b[k] = t->b[run->n]; t->s[k] = t->s[run->n]; t->h[k] = t->h[run->n]; }
    for (k = 0; k < run->n; k++) t->w[k] = (float)run->w[k];
}

/* First and last bin of the run that may touch a line: low ends of edges between lo and hi. */
NRXI_FN void nrxi_ct_strips_span_f32(const nrxi_ct_strips_f32 *t, float l, float lo, float hi, size_t *j0, size_t *j1)
{
    size_t a = *j0, b = *j1;
    while (a < t->n && !(t->a[a + 1] + t->b[a + 1] * l + t->s[a + 1] > lo)) a++;
    while (a > 0 && t->a[a] + t->b[a] * l + t->s[a] > lo) a--;
    if (b < a) b = a;
    while (b > a && !(t->a[b - 1] + t->b[b - 1] * l < hi)) b--;
    while (b < t->n && t->a[b] + t->b[b] * l < hi) b++;
    *j0 = a;
    *j1 = b;
}

/* Edge k on line l: pixel i and the parts of pixels i and i+1 left of it. Edges off the line are moved to its border. */
NRXI_FN int nrxi_ct_edge_f32(const nrxi_ct_strips_f32 *t, size_t k, float l, float lo, float hi, float part[2])
{
    float e = t->a[k] + t->b[k] * l, over;
    int i;
    if (!(e > lo)) { part[0] = part[1] = (float)0; return (int)lo; }
    if (!(e < hi)) { part[0] = part[1] = (float)0; return (int)hi; }
    i = (int)e;
    e -= (float)i;
    over = e + t->s[k] - (float)1;
    over = over > (float)0 ? over * over * t->h[k] : (float)0;
    part[0] = e + (float)0.5 * t->s[k] - over;
    part[1] = over;
    return i;
}

NRXI_FN void nrxi_ct_strips_gather_plain_f32(const nrxi_ct_strips_f32 *t, float l, size_t j0, size_t j1, float lo, float hi, const float *line, float *acc)
{
    float left[2], right[2];
    size_t j;
    int i, c, k;
    if (j0 >= j1) return;
    i = nrxi_ct_edge_f32(t, j0, l, lo, hi, left);
    for (j = j0; j < j1; j++) {
        float width = t->a[j + 1] - t->a[j] + (float)0.5 * (t->s[j + 1] - t->s[j]) + (t->b[j + 1] - t->b[j]) * l, sum;
        k = nrxi_ct_edge_f32(t, j + 1, l, lo, hi, right);
        sum = line[k] * right[0] + line[k + 1] * right[1] - line[i] * left[0] - line[i + 1] * left[1];
        for (c = i; c < k; c++) sum += line[c];
        acc[j] += sum / width;
        i = k;
        left[0] = right[0];
        left[1] = right[1];
    }
}

NRXI_FN void nrxi_ct_strips_scatter_plain_f32(const nrxi_ct_strips_f32 *t, float l, size_t j0, size_t j1, float lo, float hi, float *pair, const float *y)
{
    float part[2], before = 0;
    size_t j;
    int i, c, k;
    if (j0 >= j1) return;
    i = nrxi_ct_edge_f32(t, j0, l, lo, hi, part);
    for (j = j0; j <= j1; j++) { /* an edge adds to the strip on its left what it takes from the one on its right */
        float now = 0, change;
        if (j < j1) now = y[j] / (t->a[j + 1] - t->a[j] + (float)0.5 * (t->s[j + 1] - t->s[j]) + (t->b[j + 1] - t->b[j]) * l);
        change = before - now;
        pair[2 * i] += change * part[0];
        pair[2 * i + 1] += change * part[1];
        before = now;
        if (j == j1) break;
        k = nrxi_ct_edge_f32(t, j + 1, l, lo, hi, part);
        for (c = i; c < k; c++) pair[2 * c] += now;
        i = k;
    }
}
/* <<< twin */
NRXI_FN void nrxi_ct_strips_gather_f64(const nrxi_ct_strips_f64 *t, double l, size_t j0, size_t j1, double lo, double hi, const double *line, double *acc)
{
    nrxi_ct_strips_gather_plain_f64(t, l, j0, j1, lo, hi, line, acc);
}
NRXI_FN void nrxi_ct_strips_scatter_f64(const nrxi_ct_strips_f64 *t, double l, size_t j0, size_t j1, double lo, double hi, double *pair, const double *y)
{
    nrxi_ct_strips_scatter_plain_f64(t, l, j0, j1, lo, hi, pair, y);
}

#if defined(NRXI_X86)
/* The edges of strips j0 .. j1-1 on a line, eight at a time. Edges stand less than two pixels apart, so that at most two whole pixels lie
   between the first pixel of one edge and that of the next: they are added where the parts of the pixels i and i+1 go. */
typedef struct nrxi_ct_edges {
    float place[NRXI_CT_RUN + 16]; /* low end, also off the line */
    float part[2][NRXI_CT_RUN + 16], pixel[2][NRXI_CT_RUN + 16]; /* shares and values of pixels i and i+1 */
    int32_t at[NRXI_CT_RUN + 16];  /* i */
} nrxi_ct_edges;
#define NRXI_CT_LOAD_I(p) (*(const nrxi_i32x8u *)(p))
#define NRXI_CT_AND(x, m) ((nrxi_f32x8)((nrxi_i32x8)(x) & (m)))

/* line NULL: no pixels are picked (adjoint). */
NRXI_AVX2 NRXI_FN void nrxi_ct_edges_avx2(const nrxi_ct_strips_f32 *t, float l, size_t j0, size_t j1, float lo, float hi, const float *line, nrxi_ct_edges *e)
{
    nrxi_f32x8 lv = NRXI_CT_SPLAT(l), lov = NRXI_CT_SPLAT(lo), hiv = NRXI_CT_SPLAT(hi), one = NRXI_CT_SPLAT(1.0f), half = NRXI_CT_SPLAT(0.5f), zero = NRXI_CT_SPLAT(0.0f);
    size_t k;
    for (k = 0; k <= j1 - j0; k += 8) {
        nrxi_f32x8 p = NRXI_CT_LOAD(t->a + j0 + k) + NRXI_CT_LOAD(t->b + j0 + k) * lv, s = NRXI_CT_LOAD(t->s + j0 + k), over;
        nrxi_i32x8 inside = (p > lov) & (p < hiv), i, sel;
        *(nrxi_f32x8u *)(e->place + k) = p;
        p = __builtin_ia32_minps256(__builtin_ia32_maxps256(p, lov), hiv);
        i = __builtin_convertvector(p, nrxi_i32x8);
        *(nrxi_i32x8u *)(e->at + k) = i;
        p -= __builtin_convertvector(i, nrxi_f32x8);
        over = __builtin_ia32_maxps256(p + s - one, zero);
        over = over * over * NRXI_CT_LOAD(t->h + j0 + k);
        *(nrxi_f32x8u *)(e->part[0] + k) = NRXI_CT_AND(p + half * s - over, inside);
        *(nrxi_f32x8u *)(e->part[1] + k) = NRXI_CT_AND(over, inside);
        if (line) {
            const float *q = line + i[0];
            i -= i[0];
            sel = i << 28;
            *(nrxi_f32x8u *)(e->pixel[0] + k) = NRXI_CT_PICK16(q, i, sel);
            *(nrxi_f32x8u *)(e->pixel[1] + k) = NRXI_CT_PICK16(q + 1, i, sel);
        }
    }
}

NRXI_AVX2 NRXI_FN void nrxi_ct_strips_gather_avx2(const nrxi_ct_strips_f32 *t, float l, size_t j0, size_t j1, float lo, float hi, const float *line, float *acc)
{
    nrxi_ct_edges e;
    nrxi_f32x8 half = NRXI_CT_SPLAT(0.5f);
    size_t k, n = j1 - j0;
    nrxi_ct_edges_avx2(t, l, j0, j1, lo, hi, line, &e);
    for (k = 0; k < n; k += 8) {
        nrxi_i32x8 i = NRXI_CT_LOAD_I(e.at + k), j = NRXI_CT_LOAD_I(e.at + k + 1);
        nrxi_f32x8 x = NRXI_CT_LOAD(e.pixel[0] + k), y = NRXI_CT_LOAD(e.pixel[1] + k), sum;
        nrxi_f32x8 width = NRXI_CT_LOAD(e.place + k + 1) - NRXI_CT_LOAD(e.place + k) + half * (NRXI_CT_LOAD(t->s + j0 + k + 1) - NRXI_CT_LOAD(t->s + j0 + k));
        sum = NRXI_CT_LOAD(e.pixel[0] + k + 1) * NRXI_CT_LOAD(e.part[0] + k + 1) + NRXI_CT_LOAD(e.pixel[1] + k + 1) * NRXI_CT_LOAD(e.part[1] + k + 1)
            - x * NRXI_CT_LOAD(e.part[0] + k) - y * NRXI_CT_LOAD(e.part[1] + k);
        sum += NRXI_CT_AND(x, j > i) + NRXI_CT_AND(y, j - i > 1);
        sum /= width;
        if (k + 8 <= n) *(nrxi_f32x8u *)(acc + j0 + k) += sum;
        else {
            size_t m;
            for (m = 0; m < n - k; m++) acc[j0 + k + m] += sum[m];
        }
    }
}

NRXI_AVX2 NRXI_FN void nrxi_ct_strips_scatter_avx2(const nrxi_ct_strips_f32 *t, float l, size_t j0, size_t j1, float lo, float hi, float *pair, const float *y)
{
    nrxi_ct_edges e;
    float now[NRXI_CT_RUN + 16], *mean = now + 1; /* y over the width of strips -1 .. n */
    nrxi_f32x8 half = NRXI_CT_SPLAT(0.5f);
    size_t k, n = j1 - j0;
    nrxi_ct_edges_avx2(t, l, j0, j1, lo, hi, NULL, &e);
    for (k = 0; k + 8 <= n; k += 8)
        *(nrxi_f32x8u *)(mean + k) = NRXI_CT_LOAD(y + j0 + k) / (NRXI_CT_LOAD(e.place + k + 1) - NRXI_CT_LOAD(e.place + k)
                                                          + half * (NRXI_CT_LOAD(t->s + j0 + k + 1) - NRXI_CT_LOAD(t->s + j0 + k)));
    for (; k < n; k++) mean[k] = y[j0 + k] / (e.place[k + 1] - e.place[k] + 0.5f * (t->s[j0 + k + 1] - t->s[j0 + k]));
    now[0] = 0;
    for (; k < n + 9; k++) mean[k] = 0;
    for (k = 0; k <= n; k += 8) { /* an edge adds to the strip on its left what it takes from the one on its right */
        nrxi_i32x8 i = NRXI_CT_LOAD_I(e.at + k), j = NRXI_CT_LOAD_I(e.at + k + 1);
        nrxi_f32x8 m = NRXI_CT_LOAD(mean + k), change = NRXI_CT_LOAD(now + k) - m;
        *(nrxi_f32x8u *)(e.pixel[0] + k) = change * NRXI_CT_LOAD(e.part[0] + k) + NRXI_CT_AND(m, j > i);
        *(nrxi_f32x8u *)(e.pixel[1] + k) = change * NRXI_CT_LOAD(e.part[1] + k) + NRXI_CT_AND(m, j - i > 1);
    }
    for (k = 0; k <= n; k++) {
        float *p = pair + 2 * e.at[k];
        p[0] += e.pixel[0][k];
        p[1] += e.pixel[1][k];
    }
}

/* Whether neighbouring edges stand 0.01 to 1.98 pixels apart on a line; distances are extreme at the ends. */
NRXI_FN int nrxi_ct_strips_fit(const nrxi_ct_strips_f32 *t, float l, size_t j0, size_t j1)
{
    float first = t->a[j0 + 1] - t->a[j0] + (t->b[j0 + 1] - t->b[j0]) * l, last = t->a[j1] - t->a[j1 - 1] + (t->b[j1] - t->b[j1 - 1]) * l;
    return j1 - j0 >= 8 && first > 0.01f && first < 1.98f && last > 0.01f && last < 1.98f && nrxi_cpu_avx2();
}
#endif

NRXI_FN void nrxi_ct_strips_gather_f32(const nrxi_ct_strips_f32 *t, float l, size_t j0, size_t j1, float lo, float hi, const float *line, float *acc)
{
#if defined(NRXI_X86)
    if (j1 > j0 && nrxi_ct_strips_fit(t, l, j0, j1)) { nrxi_ct_strips_gather_avx2(t, l, j0, j1, lo, hi, line, acc); return; }
#endif
    nrxi_ct_strips_gather_plain_f32(t, l, j0, j1, lo, hi, line, acc);
}
NRXI_FN void nrxi_ct_strips_scatter_f32(const nrxi_ct_strips_f32 *t, float l, size_t j0, size_t j1, float lo, float hi, float *pair, const float *y)
{
#if defined(NRXI_X86)
    if (j1 > j0 && nrxi_ct_strips_fit(t, l, j0, j1)) { nrxi_ct_strips_scatter_avx2(t, l, j0, j1, lo, hi, pair, y); return; }
#endif
    nrxi_ct_strips_scatter_plain_f32(t, l, j0, j1, lo, hi, pair, y);
}

/* >>> twin f64 */
NRXI_FN void nrxi_ct_strips_forward_f64(const nrxi_ct_strips_f64 *t, const double *lines, size_t n_lines, size_t along, nrxi_ct_wide *sums)
{
    double acc[NRXI_CT_RUN];
    size_t l, l0, j, j0 = 0, j1 = 0, stride = along + 2 * NRXI_CT_PAD;
    double lo = (double)(NRXI_CT_PAD - 1), hi = (double)(along + NRXI_CT_PAD);
    for (j = 0; j < t->n; j++) sums[j] = 0;
    for (l0 = 0; l0 < n_lines; l0 += 64) {
        size_t l1 = l0 + 64 < n_lines ? l0 + 64 : n_lines;
        for (j = 0; j < t->n; j++) acc[j] = 0;
        for (l = l0; l < l1; l++) {
            nrxi_ct_strips_span_f64(t, (double)l, lo, hi, &j0, &j1);
            nrxi_ct_strips_gather_f64(t, (double)l, j0, j1, lo, hi, lines + l * stride, acc);
        }
        for (j = 0; j < t->n; j++) sums[j] += (nrxi_ct_wide)acc[j];
    }
}

NRXI_FN void nrxi_ct_strips_adjoint_f64(const nrxi_ct_strips_f64 *t, const double *y, size_t l0, size_t l1, size_t along, double *pairs)
{
    size_t l, j0 = 0, j1 = 0, stride = 2 * (along + 2 * NRXI_CT_PAD);
    double lo = (double)(NRXI_CT_PAD - 1), hi = (double)(along + NRXI_CT_PAD);
    for (l = l0; l < l1; l++) {
        nrxi_ct_strips_span_f64(t, (double)l, lo, hi, &j0, &j1);
        nrxi_ct_strips_scatter_f64(t, (double)l, j0, j1, lo, hi, pairs + l * stride, y);
    }
}
/* === twin f32 */
NRXI_FN void nrxi_ct_strips_forward_f32(const nrxi_ct_strips_f32 *t, const float *lines, size_t n_lines, size_t along, nrxi_ct_wide *sums)
{
    float acc[NRXI_CT_RUN];
    size_t l, l0, j, j0 = 0, j1 = 0, stride = along + 2 * NRXI_CT_PAD;
    float lo = (float)(NRXI_CT_PAD - 1), hi = (float)(along + NRXI_CT_PAD);
    for (j = 0; j < t->n; j++) sums[j] = 0;
    for (l0 = 0; l0 < n_lines; l0 += 64) {
        size_t l1 = l0 + 64 < n_lines ? l0 + 64 : n_lines;
        for (j = 0; j < t->n; j++) acc[j] = 0;
        for (l = l0; l < l1; l++) {
            nrxi_ct_strips_span_f32(t, (float)l, lo, hi, &j0, &j1);
            nrxi_ct_strips_gather_f32(t, (float)l, j0, j1, lo, hi, lines + l * stride, acc);
        }
        for (j = 0; j < t->n; j++) sums[j] += (nrxi_ct_wide)acc[j];
    }
}

NRXI_FN void nrxi_ct_strips_adjoint_f32(const nrxi_ct_strips_f32 *t, const float *y, size_t l0, size_t l1, size_t along, float *pairs)
{
    size_t l, j0 = 0, j1 = 0, stride = 2 * (along + 2 * NRXI_CT_PAD);
    float lo = (float)(NRXI_CT_PAD - 1), hi = (float)(along + NRXI_CT_PAD);
    for (l = l0; l < l1; l++) {
        nrxi_ct_strips_span_f32(t, (float)l, lo, hi, &j0, &j1);
        nrxi_ct_strips_scatter_f32(t, (float)l, j0, j1, lo, hi, pairs + l * stride, y);
    }
}
/* <<< twin */

/* >>> twin f64 */
/* image -> lines with their zeros, and (by columns) transposed, in tiles that stay in the cache. */
NRXI_FN void nrxi_ct_pack_f64(const double *image, const unsigned char *mask, size_t rows, size_t cols, int by_columns, double *lines)
{
    size_t n_lines = by_columns ? cols : rows, along = by_columns ? rows : cols, stride = along + 2 * NRXI_CT_PAD, l, k, l0;
    for (l = 0; l < n_lines; l++)
        for (k = 0; k < NRXI_CT_PAD; k++) lines[l * stride + k] = lines[l * stride + along + NRXI_CT_PAD + k] = 0;
    for (k = 0; k < NRXI_CT_SLACK; k++) lines[n_lines * stride + k] = 0;
    for (l0 = 0; l0 < n_lines; l0 += 16)
        for (k = 0; k < along; k++)
            for (l = l0; l < n_lines && l < l0 + 16; l++) {
                size_t at = by_columns ? k * cols + l : l * cols + k;
                lines[l * stride + NRXI_CT_PAD + k] = mask && !mask[at] ? (double)0 : image[at];
            }
}

/* Folds pairs of lines l0 .. l1-1 into the image (added) and clears them. */
NRXI_FN void nrxi_ct_fold_f64(double *pairs, size_t l0, size_t l1, size_t along, size_t cols, int by_columns, double *image)
{
    size_t l, k, stride = 2 * (along + 2 * NRXI_CT_PAD);
    for (k = 0; k < along; k++)
        for (l = l0; l < l1; l++) {
            const double *p = pairs + l * stride + 2 * (k + NRXI_CT_PAD);
            image[by_columns ? k * cols + l : l * cols + k] += p[0] + p[-1];
        }
    memset(pairs + l0 * stride, 0, (l1 - l0) * stride * sizeof *pairs);
}
/* === twin f32 */
/* image -> lines with their zeros, and (by columns) transposed, in tiles that stay in the cache. */
NRXI_FN void nrxi_ct_pack_f32(const float *image, const unsigned char *mask, size_t rows, size_t cols, int by_columns, float *lines)
{
    size_t n_lines = by_columns ? cols : rows, along = by_columns ? rows : cols, stride = along + 2 * NRXI_CT_PAD, l, k, l0;
    for (l = 0; l < n_lines; l++)
        for (k = 0; k < NRXI_CT_PAD; k++) lines[l * stride + k] = lines[l * stride + along + NRXI_CT_PAD + k] = 0;
    for (k = 0; k < NRXI_CT_SLACK; k++) lines[n_lines * stride + k] = 0;
    for (l0 = 0; l0 < n_lines; l0 += 16)
        for (k = 0; k < along; k++)
            for (l = l0; l < n_lines && l < l0 + 16; l++) {
                size_t at = by_columns ? k * cols + l : l * cols + k;
                lines[l * stride + NRXI_CT_PAD + k] = mask && !mask[at] ? (float)0 : image[at];
            }
}

/* Folds pairs of lines l0 .. l1-1 into the image (added) and clears them. */
NRXI_FN void nrxi_ct_fold_f32(float *pairs, size_t l0, size_t l1, size_t along, size_t cols, int by_columns, float *image)
{
    size_t l, k, stride = 2 * (along + 2 * NRXI_CT_PAD);
    for (k = 0; k < along; k++)
        for (l = l0; l < l1; l++) {
            const float *p = pairs + l * stride + 2 * (k + NRXI_CT_PAD);
            image[by_columns ? k * cols + l : l * cols + k] += p[0] + p[-1];
        }
    memset(pairs + l0 * stride, 0, (l1 - l0) * stride * sizeof *pairs);
}
/* <<< twin */

#if defined(NRXI_X86)
/* The adjoint by pixels: pixel c of a line gets (1 - |k_j - c|) y_j from the rays j whose position k_j lies within one pixel. They are
   found by projecting the pixel: entry (n0 + n1 c) / (d0 + d1 c) of the run. Rays a pixel or more apart: one on each side; half
   a pixel: two. Positions and weights are those of the forward kernel. */
#define NRXI_CT_PULL_PAD 24 /* entries in front of and behind k and y; y is zero there */
typedef struct nrxi_ct_pull { double n0, nc, nl, d0, dc, dl; } nrxi_ct_pull;

NRXI_AVX2 NRXI_FN void nrxi_ct_pull_wide(const float *k, const float *y, float n0, float n1, float d0, float d1, int divide, size_t c0, size_t c1, float *out)
{
    nrxi_f32x8 a = NRXI_CT_SPLAT(n0), b = NRXI_CT_SPLAT(n1), u = NRXI_CT_SPLAT(d0), v = NRXI_CT_SPLAT(d1), one = NRXI_CT_SPLAT(1.0f);
    nrxi_f32x8 zero = NRXI_CT_SPLAT(0.0f), step = {0, 1, 2, 3, 4, 5, 6, 7};
    size_t c = c0;
    for (; c + 8 <= c1; c += 8) {
        const float cf = (float)c;
        nrxi_f32x8 x = NRXI_CT_SPLAT(cf), j, w0, w1;
        nrxi_i32x8 i;
        const float *kp, *yp;
        x += step;
        j = a + b * x;
        if (divide) j /= u + v * x;
        i = __builtin_convertvector(j, nrxi_i32x8);
        kp = k + i[0];
        yp = y + i[0];
        i -= i[0];
        w0 = one - NRXI_CT_ABS(NRXI_CT_PICK8(kp, i) - x);
        w1 = one - NRXI_CT_ABS(NRXI_CT_PICK8(kp + 1, i) - x);
        w0 = __builtin_ia32_maxps256(w0, zero) * NRXI_CT_PICK8(yp, i) + __builtin_ia32_maxps256(w1, zero) * NRXI_CT_PICK8(yp + 1, i);
        *(nrxi_f32x8u *)(out + c) += w0;
    }
    for (; c < c1; c++) {
        float x = (float)c, j = n0 + n1 * x, w0, w1;
        int i;
        if (divide) j /= d0 + d1 * x;
        i = (int)j;
        w0 = 1 - fabsf(k[i] - x);
        w1 = 1 - fabsf(k[i + 1] - x);
        out[c] += (w0 > 0 ? w0 * y[i] : 0) + (w1 > 0 ? w1 * y[i + 1] : 0);
    }
}

NRXI_AVX2 NRXI_FN void nrxi_ct_pull_narrow(const float *k, const float *y, float n0, float n1, float d0, float d1, int divide, size_t c0, size_t c1, float *out)
{
    nrxi_f32x8 a = NRXI_CT_SPLAT(n0), b = NRXI_CT_SPLAT(n1), u = NRXI_CT_SPLAT(d0), v = NRXI_CT_SPLAT(d1), one = NRXI_CT_SPLAT(1.0f);
    nrxi_f32x8 zero = NRXI_CT_SPLAT(0.0f), step = {0, 1, 2, 3, 4, 5, 6, 7};
    size_t c = c0;
    for (; c + 8 <= c1; c += 8) {
        const float cf = (float)c;
        nrxi_f32x8 x = NRXI_CT_SPLAT(cf), j, w, sum = zero;
        nrxi_i32x8 i, sel;
        const float *kp, *yp;
        int m;
        x += step;
        j = a + b * x;
        if (divide) j /= u + v * x;
        i = __builtin_convertvector(j, nrxi_i32x8);
        kp = k + i[0];
        yp = y + i[0];
        i -= i[0];
        sel = i << 28;
        for (m = -1; m < 3; m++) {
            w = one - NRXI_CT_ABS(NRXI_CT_PICK16(kp + m, i, sel) - x);
            sum += __builtin_ia32_maxps256(w, zero) * NRXI_CT_PICK16(yp + m, i, sel);
        }
        *(nrxi_f32x8u *)(out + c) += sum;
    }
    for (; c < c1; c++) {
        float x = (float)c, j = n0 + n1 * x, sum = 0;
        int i, m;
        if (divide) j /= d0 + d1 * x;
        i = (int)j;
        for (m = i - 1; m < i + 3; m++) {
            float w = 1 - fabsf(k[m] - x);
            if (w > 0) sum += w * y[m];
        }
        out[c] += sum;
    }
}

/* Where pixel c of line l lies among the entries of the run, counted from the front padding. */
NRXI_FN nrxi_ct_pull nrxi_ct_pull_of(const nrxi_ct_grid *q, const nrxi_ct_bp *b, const nrxi_ct_run *r)
{
    nrxi_ct_pull p;
    double nx = b->nx * q->hx, ny = -b->ny * q->hy, mx = b->mx * q->hx, my = -b->my * q->hy;
    double n0 = b->n0 + b->nx * q->x0 + b->ny * q->y0, m0 = b->m0 + b->mx * q->x0 + b->my * q->y0, scale = 1, shift = NRXI_CT_PULL_PAD - (double)r->first;
    if (r->reversed) { scale = -1; shift = NRXI_CT_PULL_PAD + (double)(r->first + r->n - 1); }
    p.d0 = m0;
    p.dc = r->by_columns ? my : mx;
    p.dl = r->by_columns ? mx : my;
    p.n0 = scale * n0 + shift * p.d0;
    p.nc = scale * (r->by_columns ? ny : nx) + shift * p.dc;
    p.nl = scale * (r->by_columns ? nx : ny) + shift * p.dl;
    return p;
}

/* Whether the pixels at both ends fall near the run, as they do unless the detector is seen at a grazing angle. */
NRXI_FN int nrxi_ct_pull_fits(double n0, double n1, double d0, double d1, double lo, double hi, double n)
{
    double a = (n0 + n1 * lo) / (d0 + d1 * lo), b = (n0 + n1 * hi) / (d0 + d1 * hi);
    return a > NRXI_CT_PULL_PAD - 4 && b < NRXI_CT_PULL_PAD + n + 4;
}

NRXI_FN void nrxi_ct_pull_scatter(const float *k, const float *y, size_t n, size_t along, float *out)
{
    size_t j;
    for (j = 0; j < n; j++) {
        float f;
        long i;
        if (!(k[j] > -1 && k[j] < (float)along)) continue;
        i = (long)floorf(k[j]);
        f = k[j] - (float)i;
        if (i >= 0) out[i] += (1 - f) * y[j];
        if (i + 1 < (long)along) out[i + 1] += f * y[j];
    }
}

/* lines[l] += transpose of the run for lines l0 .. l1-1 of `along` pixels; y has its padding. */
NRXI_AVX2 NRXI_FN void nrxi_ct_run_pull(const nrxi_ct_rays_f32 *r, const nrxi_ct_pull *p, int divide, const float *y, size_t l0, size_t l1,
                                        size_t along, float *lines)
{
    float k[NRXI_CT_RUN + 2 * NRXI_CT_PULL_PAD];
    float *kk = k + NRXI_CT_PULL_PAD;
    size_t l, j, j0 = 0, j1 = 0;
    memset(k, 0, sizeof k);
    for (l = l0; l < l1; l++) {
        double ld = (double)l, n0 = p->n0 + p->nl * ld, d0 = p->d0 + p->dl * ld, lo, hi;
        float lf = (float)l, *out = lines + l * along, closest;
        nrxi_f32x8 lv = NRXI_CT_SPLAT(lf), pad = NRXI_CT_SPLAT((float)NRXI_CT_PAD);
        nrxi_ct_span_f32(r, lf, (float)(NRXI_CT_PAD - 1), (float)(along + NRXI_CT_PAD), &j0, &j1);
        if (j0 >= j1) continue;
        for (j = 0; j + 8 <= r->n; j += 8) *(nrxi_f32x8u *)(kk + j) = NRXI_CT_LOAD(r->a + j) + NRXI_CT_LOAD(r->b + j) * lv - pad;
        for (; j < r->n; j++) kk[j] = r->a[j] + r->b[j] * lf - (float)NRXI_CT_PAD;
        closest = j1 - j0 > 1 ? kk[j0 + 1] - kk[j0] : 0; /* on a flat detector distances are least at one end */
        if (j1 - j0 > 1 && kk[j1 - 1] - kk[j1 - 2] < closest) closest = kk[j1 - 1] - kk[j1 - 2];
        if (!divide && j1 - j0 > 1) closest = r->a[1] - r->a[0] + 1e-4f; /* equal, and free of the rounding of positions */
        lo = floor((double)kk[j0]);
        hi = floor((double)kk[j1 - 1]) + 2;
        if (lo < 0) lo = 0;
        if (hi > (double)along) hi = (double)along;
        if (closest < 0.501f || !nrxi_ct_pull_fits(n0, p->nc, d0, p->dc, lo, hi - 1, (double)r->n))
            nrxi_ct_pull_scatter(kk + j0, y + NRXI_CT_PULL_PAD + j0, j1 - j0, along, out);
        else if (closest < 1.0001f)
            nrxi_ct_pull_narrow(k, y, (float)n0, (float)p->nc, (float)d0, (float)p->dc, divide, (size_t)lo, (size_t)hi, out);
        else
            nrxi_ct_pull_wide(k, y, (float)n0, (float)p->nc, (float)d0, (float)p->dc, divide, (size_t)lo, (size_t)hi, out);
    }
}
#endif

/* -- jobs: forward over views, adjoint over blocks of lines; every output element belongs to one job -- */

#define NRXI_CT_BLOCK 32    /* lines of an adjoint job; twice as many for fan beams, whose coefficients cost more */
#define NRXI_CT_FLUSH 128   /* views summed before the pairs are folded into the image */

typedef struct nrxi_ct_pass {
    const nrx_ct_geometry *g;
    nrxi_ct_grid grid;
    const void *in;          /* adjoint: the sinogram */
    void *out;               /* forward: the sinogram; adjoint: the image */
    void *lines[2];          /* forward: packed rows and columns; adjoint: pairs */
    size_t view0, view1, block;
    int by_columns;          /* adjoint: which lines this pass handles */
} nrxi_ct_pass;

/* Whether all rays of a parallel view go along the other lines, so that the view needs no look. */
NRXI_FN int nrxi_ct_other_lines(const nrxi_ct_pass *p, const nrxi_ct_frame *f)
{
    return !f->divergent && nrxi_ct_goes_by_columns(&p->grid, f->v.source) != p->by_columns;
}

#if defined(NRXI_X86)
NRXI_FN void nrxi_ct_pull_block(void *arg, size_t block)
{
    const nrxi_ct_pass *p = (const nrxi_ct_pass *)arg;
    const nrx_ct_geometry *g = p->g;
    size_t n_lines = p->by_columns ? g->cols : g->rows, along = p->by_columns ? g->rows : g->cols;
    size_t l0 = block * p->block, l1 = l0 + p->block < n_lines ? l0 + p->block : n_lines, view, k, l;
    float *lines = (float *)p->lines[0], *image = (float *)p->out, y[NRXI_CT_RUN + 2 * NRXI_CT_PULL_PAD];
    memset(y, 0, sizeof y);
    for (view = p->view0; view < p->view1; view++) {
        nrxi_ct_frame f = nrxi_ct_frame_of(g, view);
        nrxi_ct_bp bp = nrxi_ct_bp_of(&f, g->pitch);
        const float *in = (const float *)p->in + view * g->bins;
        size_t j = nrxi_ct_other_lines(p, &f) ? g->bins : 0;
        while (j < g->bins) {
            nrxi_ct_run run;
            nrxi_ct_rays_f32 rays;
            nrxi_ct_run_fill(g, &p->grid, &f, j, &run);
            if (run.by_columns == p->by_columns) {
                nrxi_ct_pull pull = nrxi_ct_pull_of(&p->grid, &bp, &run);
                nrxi_ct_rays_from_f32(&run, 0, &rays);
                for (k = 0; k < run.n; k++) y[NRXI_CT_PULL_PAD + k] = (float)run.w[k] * in[run.reversed ? j + run.n - 1 - k : j + k];
                for (k = run.n; k < NRXI_CT_RUN && k < run.n + NRXI_CT_PULL_PAD; k++) y[NRXI_CT_PULL_PAD + k] = 0;
                nrxi_ct_run_pull(&rays, &pull, f.divergent, y, l0, l1, along, lines);
            }
            j += run.n;
        }
    }
    for (k = 0; k < along; k++)
        for (l = l0; l < l1; l++) image[p->by_columns ? k * g->cols + l : l * g->cols + k] += lines[l * along + k];
    memset(lines + l0 * along, 0, (l1 - l0) * along * sizeof *lines);
}

/* Whether the adjoint can go by pixels: Joseph in f32, flat detectors. */
NRXI_FN int nrxi_ct_can_pull(const nrxi_ct_pass *p)
{
    const nrx_ct_geometry *g = p->g;
    size_t view;
    if (g->kernel != NRX_CT_JOSEPH || g->dtype != NRX_F32 || g->kind == NRX_CT_FAN_CURVED || !nrxi_cpu_avx2()) return 0;
    for (view = 0; view < g->views; view++) {
        nrxi_ct_frame f = nrxi_ct_frame_of(g, view);
        nrxi_ct_bp b = nrxi_ct_bp_of(&f, g->pitch);
        int corner;
        for (corner = 0; f.divergent && corner < 4; corner++) { /* all pixels well ahead of the source */
            double x = p->grid.x0 + (corner & 1 ? p->grid.hx * ((double)g->cols - 1) : 0);
            double y = p->grid.y0 - (corner & 2 ? p->grid.hy * ((double)g->rows - 1) : 0);
            if (!(b.m0 + b.mx * x + b.my * y > 0.01)) return 0;
        }
    }
    return 1;
}
#endif

/* >>> twin f64 */
NRXI_FN void nrxi_ct_forward_view_f64(void *arg, size_t view)
{
    const nrxi_ct_pass *p = (const nrxi_ct_pass *)arg;
    const nrx_ct_geometry *g = p->g;
    nrxi_ct_frame f = nrxi_ct_frame_of(g, view);
    double *out = (double *)p->out + view * g->bins;
    size_t j = 0, k;
    while (j < g->bins) {
        nrxi_ct_run run;
        nrxi_ct_rays_f64 rays;
        nrxi_ct_wide sums[NRXI_CT_RUN];
        nrxi_ct_run_fill(g, &p->grid, &f, j, &run);
        if (g->kernel == NRX_CT_AREA) {
            nrxi_ct_strips_f64 strips;
            nrxi_ct_strips_fill_f64(&p->grid, &f, &run, &strips);
            nrxi_ct_strips_forward_f64(&strips, (const double *)p->lines[run.by_columns], run.by_columns ? g->cols : g->rows,
                                       run.by_columns ? g->rows : g->cols, sums);
        } else {
            nrxi_ct_rays_from_f64(&run, g->kernel == NRX_CT_SIDDON, &rays);
            nrxi_ct_run_forward_f64(&rays, (const double *)p->lines[run.by_columns], run.by_columns ? g->cols : g->rows,
                                    run.by_columns ? g->rows : g->cols, sums);
        }
        for (k = 0; k < run.n; k++) out[run.reversed ? j + run.n - 1 - k : j + k] = (double)(sums[k] * run.w[k]);
        j += run.n;
    }
}

NRXI_FN void nrxi_ct_adjoint_block_f64(void *arg, size_t block)
{
    const nrxi_ct_pass *p = (const nrxi_ct_pass *)arg;
    const nrx_ct_geometry *g = p->g;
    size_t n_lines = p->by_columns ? g->cols : g->rows, along = p->by_columns ? g->rows : g->cols;
    size_t l0 = block * p->block, l1 = l0 + p->block < n_lines ? l0 + p->block : n_lines, view, k;
    double *pairs = (double *)p->lines[0];
    for (view = p->view0; view < p->view1; view++) {
        nrxi_ct_frame f = nrxi_ct_frame_of(g, view);
        const double *in = (const double *)p->in + view * g->bins;
        size_t j = nrxi_ct_other_lines(p, &f) ? g->bins : 0;
        while (j < g->bins) {
            nrxi_ct_run run;
            nrxi_ct_rays_f64 rays;
            double y[NRXI_CT_RUN];
            nrxi_ct_run_fill(g, &p->grid, &f, j, &run);
            if (run.by_columns == p->by_columns) {
                for (k = 0; k < run.n; k++) y[k] = (double)run.w[k] * in[run.reversed ? j + run.n - 1 - k : j + k];
                if (g->kernel == NRX_CT_AREA) {
                    nrxi_ct_strips_f64 strips;
                    nrxi_ct_strips_fill_f64(&p->grid, &f, &run, &strips);
                    nrxi_ct_strips_adjoint_f64(&strips, y, l0, l1, along, pairs);
                } else {
                    nrxi_ct_rays_from_f64(&run, g->kernel == NRX_CT_SIDDON, &rays);
                    nrxi_ct_run_adjoint_f64(&rays, y, l0, l1, along, pairs);
                }
            }
            j += run.n;
        }
    }
    nrxi_ct_fold_f64(pairs, l0, l1, along, g->cols, p->by_columns, (double *)p->out);
}
/* === twin f32 */
NRXI_FN void nrxi_ct_forward_view_f32(void *arg, size_t view)
{
    const nrxi_ct_pass *p = (const nrxi_ct_pass *)arg;
    const nrx_ct_geometry *g = p->g;
    nrxi_ct_frame f = nrxi_ct_frame_of(g, view);
    float *out = (float *)p->out + view * g->bins;
    size_t j = 0, k;
    while (j < g->bins) {
        nrxi_ct_run run;
        nrxi_ct_rays_f32 rays;
        nrxi_ct_wide sums[NRXI_CT_RUN];
        nrxi_ct_run_fill(g, &p->grid, &f, j, &run);
        if (g->kernel == NRX_CT_AREA) {
            nrxi_ct_strips_f32 strips;
            nrxi_ct_strips_fill_f32(&p->grid, &f, &run, &strips);
            nrxi_ct_strips_forward_f32(&strips, (const float *)p->lines[run.by_columns], run.by_columns ? g->cols : g->rows,
                                       run.by_columns ? g->rows : g->cols, sums);
        } else {
            nrxi_ct_rays_from_f32(&run, g->kernel == NRX_CT_SIDDON, &rays);
            nrxi_ct_run_forward_f32(&rays, (const float *)p->lines[run.by_columns], run.by_columns ? g->cols : g->rows,
                                    run.by_columns ? g->rows : g->cols, sums);
        }
        for (k = 0; k < run.n; k++) out[run.reversed ? j + run.n - 1 - k : j + k] = (float)(sums[k] * run.w[k]);
        j += run.n;
    }
}

NRXI_FN void nrxi_ct_adjoint_block_f32(void *arg, size_t block)
{
    const nrxi_ct_pass *p = (const nrxi_ct_pass *)arg;
    const nrx_ct_geometry *g = p->g;
    size_t n_lines = p->by_columns ? g->cols : g->rows, along = p->by_columns ? g->rows : g->cols;
    size_t l0 = block * p->block, l1 = l0 + p->block < n_lines ? l0 + p->block : n_lines, view, k;
    float *pairs = (float *)p->lines[0];
    for (view = p->view0; view < p->view1; view++) {
        nrxi_ct_frame f = nrxi_ct_frame_of(g, view);
        const float *in = (const float *)p->in + view * g->bins;
        size_t j = nrxi_ct_other_lines(p, &f) ? g->bins : 0;
        while (j < g->bins) {
            nrxi_ct_run run;
            nrxi_ct_rays_f32 rays;
            float y[NRXI_CT_RUN];
            nrxi_ct_run_fill(g, &p->grid, &f, j, &run);
            if (run.by_columns == p->by_columns) {
                for (k = 0; k < run.n; k++) y[k] = (float)run.w[k] * in[run.reversed ? j + run.n - 1 - k : j + k];
                if (g->kernel == NRX_CT_AREA) {
                    nrxi_ct_strips_f32 strips;
                    nrxi_ct_strips_fill_f32(&p->grid, &f, &run, &strips);
                    nrxi_ct_strips_adjoint_f32(&strips, y, l0, l1, along, pairs);
                } else {
                    nrxi_ct_rays_from_f32(&run, g->kernel == NRX_CT_SIDDON, &rays);
                    nrxi_ct_run_adjoint_f32(&rays, y, l0, l1, along, pairs);
                }
            }
            j += run.n;
        }
    }
    nrxi_ct_fold_f32(pairs, l0, l1, along, g->cols, p->by_columns, (float *)p->out);
}
/* <<< twin */

/* Elements of workspace of a two-dimensional projection in either direction. */
NRXI_FN size_t nrxi_ct_work_2d(const nrx_ct_geometry *g)
{
    size_t by_rows = g->rows * (g->cols + 2 * NRXI_CT_PAD), by_columns = g->cols * (g->rows + 2 * NRXI_CT_PAD);
    size_t forward = by_rows + by_columns + 2 * NRXI_CT_SLACK, adjoint = 2 * (by_rows > by_columns ? by_rows : by_columns);
    return forward > adjoint ? forward : adjoint;
}

NRXI_FN void nrxi_ct_forward_2d(const nrx_ct_geometry *g, const void *image, void *sino, void *work)
{
    nrxi_ct_pass p;
    size_t rows_part = g->rows * (g->cols + 2 * NRXI_CT_PAD) + NRXI_CT_SLACK;
    memset(&p, 0, sizeof p);
    p.g = g;
    p.grid = nrxi_ct_grid_of(g);
    p.out = sino;
    p.lines[0] = work;
    p.lines[1] = (unsigned char *)work + rows_part * nrxi_dtype_size(g->dtype);
    if (g->dtype == NRX_F64) {
        nrxi_ct_pack_f64((const double *)image, g->mask, g->rows, g->cols, 0, (double *)p.lines[0]);
        nrxi_ct_pack_f64((const double *)image, g->mask, g->rows, g->cols, 1, (double *)p.lines[1]);
    } else {
        nrxi_ct_pack_f32((const float *)image, g->mask, g->rows, g->cols, 0, (float *)p.lines[0]);
        nrxi_ct_pack_f32((const float *)image, g->mask, g->rows, g->cols, 1, (float *)p.lines[1]);
    }
    nrxi_parallel(&g->env, g->views, g->dtype == NRX_F64 ? nrxi_ct_forward_view_f64 : nrxi_ct_forward_view_f32, &p);
}

NRXI_FN void nrxi_ct_apply_mask(const nrx_ct_geometry *g, void *image)
{
    size_t i, n = nrx_ct_image_size(g), bytes = nrxi_dtype_size(g->dtype);
    if (!g->mask) return;
    for (i = 0; i < n; i++) if (!g->mask[i]) memset((unsigned char *)image + i * bytes, 0, bytes);
}

NRXI_FN void nrxi_ct_adjoint_2d(const nrx_ct_geometry *g, const void *sino, void *image, void *work)
{
    nrxi_ct_pass p;
    size_t bytes = nrxi_dtype_size(g->dtype);
    void (*job)(void *arg, size_t block) = g->dtype == NRX_F64 ? nrxi_ct_adjoint_block_f64 : nrxi_ct_adjoint_block_f32;
    memset(&p, 0, sizeof p);
    p.g = g;
    p.grid = nrxi_ct_grid_of(g);
    p.in = sino;
    p.out = image;
    p.lines[0] = work;
    p.block = nrxi_ct_divergent(g) ? 2 * NRXI_CT_BLOCK : NRXI_CT_BLOCK;
    memset(image, 0, g->rows * g->cols * bytes);
    memset(work, 0, nrxi_ct_work_2d(g) * bytes);
#if defined(NRXI_X86)
    if (nrxi_ct_can_pull(&p)) job = nrxi_ct_pull_block;
#endif
    for (p.view0 = 0; p.view0 < g->views; p.view0 = p.view1) {
        p.view1 = g->views - p.view0 > NRXI_CT_FLUSH ? p.view0 + NRXI_CT_FLUSH : g->views;
        for (p.by_columns = 0; p.by_columns < 2; p.by_columns++) {
            size_t n_lines = p.by_columns ? g->cols : g->rows;
            nrxi_parallel(&g->env, (n_lines + p.block - 1) / p.block, job, &p);
        }
    }
    nrxi_ct_apply_mask(g, image);
}

/* ==== projectors in three dimensions ====

   As in two: a ray is followed plane by plane along the axis it runs along most, at positions a + b l on the two other axes. Joseph
   interpolates between the four voxels around it. Siddon shares the length among the voxels the ray passes within the plane's slab.
   Area uses separable footprints (below) where it can, else the mean of 2 x 2 Joseph rays at the Gauss points of the bin. */

typedef struct nrxi_ct_ray3 {
    int    axis;              /* 0 columns, 1 rows, 2 slices */
    size_t planes, n[2];      /* planes along the axis; voxels along the two others */
    size_t plane, stride[2];  /* elements to the next plane, to the next voxel on the others */
    double a[2], b[2], w;
    size_t l0, l1;            /* planes on which the ray may touch a voxel */
} nrxi_ct_ray3;

/* The planes on which a + b l lies between lo and hi. */
NRXI_FN void nrxi_ct_clip_planes(double a, double b, double lo, double hi, double *l0, double *l1)
{
    double p, q;
    if (b == 0) {
        if (!(a > lo && a < hi)) *l1 = *l0 - 1;
        return;
    }
    p = (lo - a) / b;
    q = (hi - a) / b;
    if (p > q) { double t = p; p = q; q = t; }
    if (p > *l0) *l0 = p;
    if (q < *l1) *l1 = q;
}

/* The ray through p along d; 0 when it misses the volume. */
NRXI_FN int nrxi_ct_ray3_of(const nrx_ct_geometry *g, const nrxi_ct_grid *q, const double p[3], const double d[3], int divergent, nrxi_ct_ray3 *r)
{
    double h[3], first[3], speed[3], start[3], l0, l1;
    size_t n[3], stride[3];
    int k, other = 0;
    h[0] = q->hx; h[1] = -q->hy; h[2] = q->hz;
    first[0] = q->x0; first[1] = q->y0; first[2] = q->z0;
    n[0] = g->cols; n[1] = g->rows; n[2] = nrxi_ct_slices(g);
    stride[0] = 1; stride[1] = g->cols; stride[2] = g->rows * g->cols;
    for (k = 0; k < 3; k++) { start[k] = (p[k] - first[k]) / h[k]; speed[k] = d[k] / h[k]; } /* in voxels */
    r->axis = fabs(speed[0]) > fabs(speed[1]) ? 0 : 1;
    if (fabs(speed[2]) > fabs(speed[r->axis])) r->axis = 2;
    if (speed[r->axis] == 0) return 0;
    r->planes = n[r->axis];
    r->plane = stride[r->axis];
    l0 = 0;
    l1 = (double)r->planes - 1;
    for (k = 0; k < 3; k++) {
        if (k == r->axis) continue;
        r->b[other] = speed[k] / speed[r->axis];
        r->a[other] = start[k] - start[r->axis] * r->b[other];
        r->n[other] = n[k];
        r->stride[other] = stride[k];
        nrxi_ct_clip_planes(r->a[other], r->b[other], -1, (double)n[k], &l0, &l1);
        other++;
    }
    if (!(l0 <= l1)) return 0;
    r->l0 = (size_t)ceil(l0);
    r->l1 = (size_t)floor(l1) + 1;
    if (divergent && ((l0 + l1) * 0.5 - start[r->axis]) * speed[r->axis] <= 0) return 0; /* behind the source */
    r->w = sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]) / fabs(speed[r->axis]);
    return r->l0 < r->l1;
}

/* >>> twin f64 */
/* Adds y times the weights of plane l to x, or returns the weighted sum of x when y is NULL. Voxels outside count as zero. */
NRXI_FN double nrxi_ct_four_f64(const nrxi_ct_ray3 *r, size_t l, nrxi_ct_wide u, nrxi_ct_wide v, nrxi_ct_wide f, nrxi_ct_wide e, double *x, const double *y)
{
    long i = (long)u, j = (long)v, m, n; /* u, v are floors */
    double weight[4], sum = 0;
    int k;
    weight[0] = (double)((1 - f) * (1 - e)); weight[1] = (double)(f * (1 - e)); weight[2] = (double)((1 - f) * e); weight[3] = (double)(f * e);
    x += l * r->plane;
    if (i >= 0 && j >= 0 && i + 1 < (long)r->n[0] && j + 1 < (long)r->n[1]) {
        double *p = x + (size_t)i * r->stride[0] + (size_t)j * r->stride[1], *q = p + r->stride[1];
        if (!y) return weight[0] * p[0] + weight[1] * p[r->stride[0]] + weight[2] * q[0] + weight[3] * q[r->stride[0]];
        p[0] += *y * weight[0];
        p[r->stride[0]] += *y * weight[1];
        q[0] += *y * weight[2];
        q[r->stride[0]] += *y * weight[3];
        return 0;
    }
    for (k = 0; k < 4; k++) {
        m = i + (k & 1);
        n = j + (k >> 1);
        if (m < 0 || n < 0 || m >= (long)r->n[0] || n >= (long)r->n[1]) continue;
        if (y) x[(size_t)m * r->stride[0] + (size_t)n * r->stride[1]] += *y * weight[k];
        else sum += weight[k] * x[(size_t)m * r->stride[0] + (size_t)n * r->stride[1]];
    }
    return sum;
}

/* Siddon within a slab: the ray crosses at most one border of each other axis, in an order that the two crossing times tell. */
NRXI_FN double nrxi_ct_slab_f64(const nrxi_ct_ray3 *r, size_t l, double *x, const double *y)
{
    nrxi_ct_wide cut[4], at[2], sum = 0;
    int k, m, parts = 1;
    cut[0] = -0.5;
    for (k = 0; k < 2; k++) { /* where the ray crosses from one voxel into the next, in -1/2 .. 1/2 */
        nrxi_ct_wide lo, edge;
        at[k] = r->a[k] + r->b[k] * (nrxi_ct_wide)l;
        lo = at[k] - 0.5 * nrxi_ct_wide_abs(r->b[k]) + 0.5;
        edge = nrxi_ct_wide_floor(lo) + 1;
        if (edge < lo + nrxi_ct_wide_abs(r->b[k])) cut[parts++] = (edge - 0.5 - at[k]) / r->b[k];
    }
    if (parts == 3 && cut[2] < cut[1]) { nrxi_ct_wide t = cut[1]; cut[1] = cut[2]; cut[2] = t; }
    cut[parts] = 0.5;
    x += l * r->plane;
    for (m = 0; m < parts; m++) {
        nrxi_ct_wide mid = 0.5 * (cut[m] + cut[m + 1]), length = cut[m + 1] - cut[m];
        nrxi_ct_wide i = nrxi_ct_wide_floor(at[0] + r->b[0] * mid + 0.5), j = nrxi_ct_wide_floor(at[1] + r->b[1] * mid + 0.5);
        if (i < 0 || j < 0 || i >= (nrxi_ct_wide)r->n[0] || j >= (nrxi_ct_wide)r->n[1]) continue;
        if (y) x[(size_t)i * r->stride[0] + (size_t)j * r->stride[1]] += (double)(*y * length);
        else sum += length * x[(size_t)i * r->stride[0] + (size_t)j * r->stride[1]];
    }
    return (double)sum;
}

/* Sum along the ray over planes l0 .. l1-1 (y NULL), or its transpose. */
NRXI_FN nrxi_ct_wide nrxi_ct_follow_f64(const nrxi_ct_ray3 *r, int siddon, size_t l0, size_t l1, double *x, const double *y)
{
    nrxi_ct_wide sum = 0;
    size_t l;
    if (l0 < r->l0) l0 = r->l0;
    if (l1 > r->l1) l1 = r->l1;
    for (l = l0; l < l1; l++) {
        nrxi_ct_wide u, v, i, j;
        if (siddon) { sum += nrxi_ct_slab_f64(r, l, x, y); continue; }
        u = r->a[0] + r->b[0] * (nrxi_ct_wide)l;
        v = r->a[1] + r->b[1] * (nrxi_ct_wide)l;
        i = nrxi_ct_wide_floor(u);
        j = nrxi_ct_wide_floor(v);
        sum += nrxi_ct_four_f64(r, l, i, j, u - i, v - j, x, y);
    }
    return sum;
}
/* === twin f32 */
/* Adds y times the weights of plane l to x, or returns the weighted sum of x when y is NULL. Voxels outside count as zero. */
NRXI_FN float nrxi_ct_four_f32(const nrxi_ct_ray3 *r, size_t l, nrxi_ct_wide u, nrxi_ct_wide v, nrxi_ct_wide f, nrxi_ct_wide e, float *x, const float *y)
{
    long i = (long)u, j = (long)v, m, n; /* u, v are floors */
    float weight[4], sum = 0;
    int k;
    weight[0] = (float)((1 - f) * (1 - e)); weight[1] = (float)(f * (1 - e)); weight[2] = (float)((1 - f) * e); weight[3] = (float)(f * e);
    x += l * r->plane;
    if (i >= 0 && j >= 0 && i + 1 < (long)r->n[0] && j + 1 < (long)r->n[1]) {
        float *p = x + (size_t)i * r->stride[0] + (size_t)j * r->stride[1], *q = p + r->stride[1];
        if (!y) return weight[0] * p[0] + weight[1] * p[r->stride[0]] + weight[2] * q[0] + weight[3] * q[r->stride[0]];
        p[0] += *y * weight[0];
        p[r->stride[0]] += *y * weight[1];
        q[0] += *y * weight[2];
        q[r->stride[0]] += *y * weight[3];
        return 0;
    }
    for (k = 0; k < 4; k++) {
        m = i + (k & 1);
        n = j + (k >> 1);
        if (m < 0 || n < 0 || m >= (long)r->n[0] || n >= (long)r->n[1]) continue;
        if (y) x[(size_t)m * r->stride[0] + (size_t)n * r->stride[1]] += *y * weight[k];
        else sum += weight[k] * x[(size_t)m * r->stride[0] + (size_t)n * r->stride[1]];
    }
    return sum;
}

/* Siddon within a slab: the ray crosses at most one border of each other axis, in an order that the two crossing times tell. */
NRXI_FN float nrxi_ct_slab_f32(const nrxi_ct_ray3 *r, size_t l, float *x, const float *y)
{
    nrxi_ct_wide cut[4], at[2], sum = 0;
    int k, m, parts = 1;
    cut[0] = -0.5;
    for (k = 0; k < 2; k++) { /* where the ray crosses from one voxel into the next, in -1/2 .. 1/2 */
        nrxi_ct_wide lo, edge;
        at[k] = r->a[k] + r->b[k] * (nrxi_ct_wide)l;
        lo = at[k] - 0.5 * nrxi_ct_wide_abs(r->b[k]) + 0.5;
        edge = nrxi_ct_wide_floor(lo) + 1;
        if (edge < lo + nrxi_ct_wide_abs(r->b[k])) cut[parts++] = (edge - 0.5 - at[k]) / r->b[k];
    }
    if (parts == 3 && cut[2] < cut[1]) { nrxi_ct_wide t = cut[1]; cut[1] = cut[2]; cut[2] = t; }
    cut[parts] = 0.5;
    x += l * r->plane;
    for (m = 0; m < parts; m++) {
        nrxi_ct_wide mid = 0.5 * (cut[m] + cut[m + 1]), length = cut[m + 1] - cut[m];
        nrxi_ct_wide i = nrxi_ct_wide_floor(at[0] + r->b[0] * mid + 0.5), j = nrxi_ct_wide_floor(at[1] + r->b[1] * mid + 0.5);
        if (i < 0 || j < 0 || i >= (nrxi_ct_wide)r->n[0] || j >= (nrxi_ct_wide)r->n[1]) continue;
        if (y) x[(size_t)i * r->stride[0] + (size_t)j * r->stride[1]] += (float)(*y * length);
        else sum += length * x[(size_t)i * r->stride[0] + (size_t)j * r->stride[1]];
    }
    return (float)sum;
}

/* Sum along the ray over planes l0 .. l1-1 (y NULL), or its transpose. */
NRXI_FN nrxi_ct_wide nrxi_ct_follow_f32(const nrxi_ct_ray3 *r, int siddon, size_t l0, size_t l1, float *x, const float *y)
{
    nrxi_ct_wide sum = 0;
    size_t l;
    if (l0 < r->l0) l0 = r->l0;
    if (l1 > r->l1) l1 = r->l1;
    for (l = l0; l < l1; l++) {
        nrxi_ct_wide u, v, i, j;
        if (siddon) { sum += nrxi_ct_slab_f32(r, l, x, y); continue; }
        u = r->a[0] + r->b[0] * (nrxi_ct_wide)l;
        v = r->a[1] + r->b[1] * (nrxi_ct_wide)l;
        i = nrxi_ct_wide_floor(u);
        j = nrxi_ct_wide_floor(v);
        sum += nrxi_ct_four_f32(r, l, i, j, u - i, v - j, x, y);
    }
    return sum;
}
/* <<< twin */

typedef struct nrxi_ct_pass3 {
    const nrx_ct_geometry *g;
    nrxi_ct_grid grid;
    const void *in;
    void *out;
    void *work;
    int axis;                 /* adjoint: which planes */
    size_t block;
} nrxi_ct_pass3;

/* Rays per bin and their places in it. */
NRXI_FN int nrxi_ct_sub_rays(const nrx_ct_geometry *g, double place[2])
{
    place[0] = place[1] = 0;
    if (g->kernel != NRX_CT_AREA) return 1;
    place[0] = -0.28867513459481288;
    place[1] = -place[0];
    return 2;
}

/* >>> twin f64 */
NRXI_FN void nrxi_ct_forward3_view_f64(void *arg, size_t job)
{
    const nrxi_ct_pass3 *p = (const nrxi_ct_pass3 *)arg;
    const nrx_ct_geometry *g = p->g;
    size_t rows = nrxi_ct_bin_rows(g), i = job % rows, j;
    nrxi_ct_frame f = nrxi_ct_frame_of(g, job / rows);
    double *out = (double *)p->out + job * g->bins;
    nrxi_ct_wide place[2];
    int sub = nrxi_ct_sub_rays(g, place), k;
    for (j = 0; j < g->bins; j++) {
        nrxi_ct_wide sum = 0;
        for (k = 0; k < sub * sub; k++) {
            nrxi_ct_wide point[3], dir[3];
            nrxi_ct_ray3 r;
            nrxi_ct_ray(&f, (nrxi_ct_wide)j + place[k % sub], (nrxi_ct_wide)i + place[k / sub], point, dir);
            if (nrxi_ct_ray3_of(g, &p->grid, point, dir, f.divergent, &r)) /* the volume is only read */
                sum += r.w * nrxi_ct_follow_f64(&r, g->kernel == NRX_CT_SIDDON, 0, r.planes, (double *)(size_t)p->in, NULL);
        }
        out[j] = (double)(sum / (sub * sub));
    }
}

NRXI_FN void nrxi_ct_adjoint3_block_f64(void *arg, size_t job)
{
    const nrxi_ct_pass3 *p = (const nrxi_ct_pass3 *)arg;
    const nrx_ct_geometry *g = p->g;
    size_t rows = nrxi_ct_bin_rows(g), view, i, j, at = 0;
    nrxi_ct_wide place[2];
    int sub = nrxi_ct_sub_rays(g, place), k;
    for (view = 0; view < g->views; view++) {
        nrxi_ct_frame f = nrxi_ct_frame_of(g, view);
        for (i = 0; i < rows; i++)
            for (j = 0; j < g->bins; j++, at++)
                for (k = 0; k < sub * sub; k++) {
                    nrxi_ct_wide point[3], dir[3];
                    nrxi_ct_ray3 r;
                    double y;
                    nrxi_ct_ray(&f, (nrxi_ct_wide)j + place[k % sub], (nrxi_ct_wide)i + place[k / sub], point, dir);
                    if (!nrxi_ct_ray3_of(g, &p->grid, point, dir, f.divergent, &r) || r.axis != p->axis) continue;
                    y = (double)(r.w / (sub * sub)) * ((const double *)p->in)[at];
                    nrxi_ct_follow_f64(&r, g->kernel == NRX_CT_SIDDON, job * p->block, (job + 1) * p->block, (double *)p->out, &y);
                }
    }
}
/* === twin f32 */
NRXI_FN void nrxi_ct_forward3_view_f32(void *arg, size_t job)
{
    const nrxi_ct_pass3 *p = (const nrxi_ct_pass3 *)arg;
    const nrx_ct_geometry *g = p->g;
    size_t rows = nrxi_ct_bin_rows(g), i = job % rows, j;
    nrxi_ct_frame f = nrxi_ct_frame_of(g, job / rows);
    float *out = (float *)p->out + job * g->bins;
    nrxi_ct_wide place[2];
    int sub = nrxi_ct_sub_rays(g, place), k;
    for (j = 0; j < g->bins; j++) {
        nrxi_ct_wide sum = 0;
        for (k = 0; k < sub * sub; k++) {
            nrxi_ct_wide point[3], dir[3];
            nrxi_ct_ray3 r;
            nrxi_ct_ray(&f, (nrxi_ct_wide)j + place[k % sub], (nrxi_ct_wide)i + place[k / sub], point, dir);
            if (nrxi_ct_ray3_of(g, &p->grid, point, dir, f.divergent, &r)) /* the volume is only read */
                sum += r.w * nrxi_ct_follow_f32(&r, g->kernel == NRX_CT_SIDDON, 0, r.planes, (float *)(size_t)p->in, NULL);
        }
        out[j] = (float)(sum / (sub * sub));
    }
}

NRXI_FN void nrxi_ct_adjoint3_block_f32(void *arg, size_t job)
{
    const nrxi_ct_pass3 *p = (const nrxi_ct_pass3 *)arg;
    const nrx_ct_geometry *g = p->g;
    size_t rows = nrxi_ct_bin_rows(g), view, i, j, at = 0;
    nrxi_ct_wide place[2];
    int sub = nrxi_ct_sub_rays(g, place), k;
    for (view = 0; view < g->views; view++) {
        nrxi_ct_frame f = nrxi_ct_frame_of(g, view);
        for (i = 0; i < rows; i++)
            for (j = 0; j < g->bins; j++, at++)
                for (k = 0; k < sub * sub; k++) {
                    nrxi_ct_wide point[3], dir[3];
                    nrxi_ct_ray3 r;
                    float y;
                    nrxi_ct_ray(&f, (nrxi_ct_wide)j + place[k % sub], (nrxi_ct_wide)i + place[k / sub], point, dir);
                    if (!nrxi_ct_ray3_of(g, &p->grid, point, dir, f.divergent, &r) || r.axis != p->axis) continue;
                    y = (float)(r.w / (sub * sub)) * ((const float *)p->in)[at];
                    nrxi_ct_follow_f32(&r, g->kernel == NRX_CT_SIDDON, job * p->block, (job + 1) * p->block, (float *)p->out, &y);
                }
    }
}
/* <<< twin */

/* -- area kernel for upright detectors: separable footprints (Long, Fessler and Balter 2010, SF-TR) --

   A voxel's shadow is a trapezoid along u, whose corners are the projected edges of its column, times a box along v, times the chord of
   the column at its centre and the slant of the ray. Shares of bins are integrals of the shadow over them. */

/* Whether bin rows lie in planes z = const, as do the rays of parallel beams. */
NRXI_FN int nrxi_ct_upright(const nrxi_ct_frame *f)
{
    double u = fabs(f->v.u[0]) + fabs(f->v.u[1]), v = fabs(f->v.v[2]);
    return fabs(f->v.u[2]) <= 1e-9 * u && fabs(f->v.v[0]) + fabs(f->v.v[1]) <= 1e-9 * v && v > 0 && (f->divergent || fabs(f->v.source[2]) <= 1e-9);
}

/* The footprint kernel serves upright detectors and volumes well ahead of the source; else area takes means over rays. */
NRXI_FN int nrxi_ct_has_footprints(const nrx_ct_geometry *g)
{
    nrxi_ct_grid q = nrxi_ct_grid_of(g);
    size_t view;
    if (g->kernel != NRX_CT_AREA || !nrxi_ct_is_3d(g)) return 0;
    for (view = 0; view < g->views; view++) {
        nrxi_ct_frame f = nrxi_ct_frame_of(g, view);
        nrxi_ct_bp b = nrxi_ct_bp_of(&f, g->pitch);
        int corner;
        if (!nrxi_ct_upright(&f)) return 0;
        for (corner = 0; corner < 4; corner++) {
            double x = q.x0 + q.hx * (corner & 1 ? (double)g->cols - 0.5 : -0.5), y = q.y0 - q.hy * (corner & 2 ? (double)g->rows - 0.5 : -0.5);
            if (!(b.m0 + b.mx * x + b.my * y > 0.01)) return 0;
        }
    }
    return 1;
}

/* One view, and in it the shadow of a column of voxels. */
typedef struct nrxi_ct_shadow {
    nrxi_ct_frame f;
    nrxi_ct_bp b;
    double magnify;           /* of lengths along z, on the axis */
    size_t j0, j1;            /* bins that the shadow touches */
    double tau[4], chord;     /* corners of the trapezoid in bins, bin j is [j, j+1]; its height */
    double low, size;         /* lower end of the first slice of voxels in bin rows, row i is [i, i+1]; rows per slice, > 0 */
    int flipped;              /* the last slice comes first */
} nrxi_ct_shadow;

NRXI_FN nrxi_ct_shadow nrxi_ct_shadow_view(const nrx_ct_geometry *g, size_t view)
{
    nrxi_ct_shadow s;
    memset(&s, 0, sizeof s);
    s.f = nrxi_ct_frame_of(g, view);
    s.b = nrxi_ct_bp_of(&s.f, g->pitch);
    s.magnify = 1;
    if (s.f.divergent) {
        const double *p = s.f.v.source, *u = s.f.v.u;
        double c[2];
        c[0] = s.f.v.detector[0] - p[0];
        c[1] = s.f.v.detector[1] - p[1];
        s.magnify = nrxi_ct_cross(u, c) / -nrxi_ct_cross(u, p);
    }
    return s;
}

NRXI_FN void nrxi_ct_shadow_of(const nrx_ct_geometry *g, const nrxi_ct_grid *q, size_t row, size_t col, nrxi_ct_shadow *s)
{
    double x = q->x0 + (double)col * q->hx, y = q->y0 - (double)row * q->hy, d[2], length, scale, z = s->f.divergent ? s->f.v.source[2] : 0, t;
    int k, m;
    for (k = 0; k < 4; k++) {
        double cx = x + (k & 1 ? 0.5 : -0.5) * q->hx, cy = y + (k & 2 ? 0.5 : -0.5) * q->hy;
        t = (s->b.n0 + s->b.nx * cx + s->b.ny * cy) / (s->b.m0 + s->b.mx * cx + s->b.my * cy) + 0.5;
        for (m = k; m > 0 && s->tau[m - 1] > t; m--) s->tau[m] = s->tau[m - 1];
        s->tau[m] = t;
    }
    d[0] = s->f.divergent ? x - s->f.v.source[0] : s->f.v.source[0];
    d[1] = s->f.divergent ? y - s->f.v.source[1] : s->f.v.source[1];
    length = sqrt(d[0] * d[0] + d[1] * d[1]);
    s->chord = fabs(d[0]) * q->hy > fabs(d[1]) * q->hx ? q->hx * length / fabs(d[0]) : q->hy * length / fabs(d[1]);
    s->j0 = s->tau[0] > 0 ? (s->tau[0] < (double)g->bins ? (size_t)s->tau[0] : g->bins) : 0;
    s->j1 = s->tau[3] > 0 ? (s->tau[3] < (double)g->bins ? (size_t)s->tau[3] + 1 : g->bins) : 0;
    scale = s->magnify / (s->b.m0 + s->b.mx * x + s->b.my * y);
    s->size = q->hz * scale / s->f.v.v[2];
    s->low = (z + (q->z0 - 0.5 * q->hz - z) * scale - s->f.v.detector[2]) / s->f.v.v[2] + s->f.mid_v + 0.5;
    s->flipped = s->size < 0;
    if (s->flipped) { s->low += (double)nrxi_ct_slices(g) * s->size; s->size = -s->size; }
}

/* Integral of the trapezoid up to u. */
NRXI_FN double nrxi_ct_shadow_up_to(const double *t, double u)
{
    double whole = 0.5 * (t[2] + t[3] - t[0] - t[1]);
    if (u <= t[0]) return 0;
    if (u < t[1]) return 0.5 * (u - t[0]) * (u - t[0]) / (t[1] - t[0]);
    if (u <= t[2]) return u - 0.5 * (t[0] + t[1]);
    return u < t[3] ? whole - 0.5 * (t[3] - u) * (t[3] - u) / (t[3] - t[2]) : whole;
}

/* How much longer a ray is than its shadow in the plane, squared: per bin row and bin. */
NRXI_FN double nrxi_ct_slant(const nrxi_ct_frame *f, size_t i, size_t j)
{
    double p[3], d[3];
    nrxi_ct_ray(f, (double)j, (double)i, p, d);
    return 1 + d[2] * d[2] / (d[0] * d[0] + d[1] * d[1]);
}

/* >>> twin f64 */
/* Between a column of voxels and rows i0 .. i1-1 of its shadow: rows[i - i0] += shares x, or backwards x += shares rows. */
NRXI_FN void nrxi_ct_shadow_column_f64(const nrxi_ct_shadow *s, size_t slices, size_t i0, size_t i1, double *x, size_t stride, double *rows, int backward)
{
    size_t k, i;
    nrxi_ct_wide at = ((nrxi_ct_wide)i0 - s->low) / s->size, end = ((nrxi_ct_wide)i1 - s->low) / s->size;
    for (k = at > 1 ? (size_t)at - 1 : 0; k < slices && (nrxi_ct_wide)k < end; k++) {
        nrxi_ct_wide lo = s->low + (nrxi_ct_wide)k * s->size, hi = lo + s->size;
        double *v = x + (s->flipped ? slices - 1 - k : k) * stride, sum = 0;
        for (i = lo > (nrxi_ct_wide)i0 ? (size_t)lo : i0; i < i1 && (nrxi_ct_wide)i < hi; i++) {
            nrxi_ct_wide a = (nrxi_ct_wide)i > lo ? (nrxi_ct_wide)i : lo, b = (nrxi_ct_wide)i + 1 < hi ? (nrxi_ct_wide)i + 1 : hi;
            if (backward) sum += (double)(b - a) * rows[i - i0];
            else rows[i - i0] += (double)(b - a) * *v;
        }
        if (backward) *v += sum;
    }
}

/* All columns of one row of voxels in one view, rows i0 .. i1-1 of it (at most NRXI_CT_RUN). */
NRXI_FN void nrxi_ct_shadow_row_f64(const nrx_ct_geometry *g, const nrxi_ct_grid *q, nrxi_ct_shadow *s, size_t row, size_t i0, size_t i1, double *volume,
                                    double *sino, int backward)
{
    double rows[NRXI_CT_RUN];
    size_t col, i, j, slices = nrxi_ct_slices(g), stride = g->rows * g->cols;
    for (col = 0; col < g->cols; col++) {
        nrxi_ct_wide top, from;
        size_t a = i0, b = i1;
        nrxi_ct_shadow_of(g, q, row, col, s);
        top = s->low + (nrxi_ct_wide)slices * s->size;
        if (s->j0 >= s->j1 || s->low >= (nrxi_ct_wide)i1 || top <= (nrxi_ct_wide)i0) continue;
        if (s->low > (nrxi_ct_wide)a) a = (size_t)s->low;
        if (top < (nrxi_ct_wide)b) b = (size_t)top + 1 < b ? (size_t)top + 1 : b;
        for (i = a; i < b; i++) rows[i - a] = 0;
        if (!backward) nrxi_ct_shadow_column_f64(s, slices, a, b, volume + row * g->cols + col, stride, rows, 0);
        from = nrxi_ct_shadow_up_to(s->tau, (nrxi_ct_wide)s->j0);
        for (j = s->j0; j < s->j1; j++) {
            nrxi_ct_wide to = nrxi_ct_shadow_up_to(s->tau, (nrxi_ct_wide)j + 1);
            double w = (double)((to - from) * s->chord), *y = sino + j;
            if (backward) for (i = a; i < b; i++) rows[i - a] += w * y[i * g->bins];
            else for (i = a; i < b; i++) y[i * g->bins] += w * rows[i - a];
            from = to;
        }
        if (backward) nrxi_ct_shadow_column_f64(s, slices, a, b, volume + row * g->cols + col, stride, rows, 1);
    }
}

NRXI_FN void nrxi_ct_shadow_forward_f64(void *arg, size_t view)
{
    const nrxi_ct_pass3 *p = (const nrxi_ct_pass3 *)arg;
    const nrx_ct_geometry *g = p->g;
    nrxi_ct_shadow s = nrxi_ct_shadow_view(g, view);
    size_t i, j, row, rows = nrxi_ct_bin_rows(g);
    double *sino = (double *)p->out + view * rows * g->bins;
    memset(sino, 0, rows * g->bins * sizeof *sino);
    for (i = 0; i < rows; i += NRXI_CT_RUN) /* the volume is only read */
        for (row = 0; row < g->rows; row++)
            nrxi_ct_shadow_row_f64(g, &p->grid, &s, row, i, i + NRXI_CT_RUN < rows ? i + NRXI_CT_RUN : rows, (double *)(size_t)p->in, sino, 0);
    for (i = 0; i < rows; i++)
        for (j = 0; j < g->bins; j++) sino[i * g->bins + j] *= (double)nrxi_ct_wide_root(nrxi_ct_slant(&s.f, i, j));
}

/* Of the adjoint: first the slant of every ray (view by view, into the workspace), then row by row of the volume. */
NRXI_FN void nrxi_ct_shadow_slant_f64(void *arg, size_t view)
{
    const nrxi_ct_pass3 *p = (const nrxi_ct_pass3 *)arg;
    nrxi_ct_frame f = nrxi_ct_frame_of(p->g, view);
    size_t i, j, rows = nrxi_ct_bin_rows(p->g), at = view * rows * p->g->bins;
    for (i = 0; i < rows; i++)
        for (j = 0; j < p->g->bins; j++, at++) ((double *)p->work)[at] = ((const double *)p->in)[at] * (double)nrxi_ct_wide_root(nrxi_ct_slant(&f, i, j));
}
NRXI_FN void nrxi_ct_shadow_adjoint_f64(void *arg, size_t row)
{
    const nrxi_ct_pass3 *p = (const nrxi_ct_pass3 *)arg;
    const nrx_ct_geometry *g = p->g;
    size_t i, view, rows = nrxi_ct_bin_rows(g);
    for (view = 0; view < g->views; view++) {
        nrxi_ct_shadow s = nrxi_ct_shadow_view(g, view);
        for (i = 0; i < rows; i += NRXI_CT_RUN)
            nrxi_ct_shadow_row_f64(g, &p->grid, &s, row, i, i + NRXI_CT_RUN < rows ? i + NRXI_CT_RUN : rows, (double *)p->out,
                                   (double *)p->work + view * rows * g->bins, 1);
    }
}
/* === twin f32 */
/* Between a column of voxels and rows i0 .. i1-1 of its shadow: rows[i - i0] += shares x, or backwards x += shares rows. */
NRXI_FN void nrxi_ct_shadow_column_f32(const nrxi_ct_shadow *s, size_t slices, size_t i0, size_t i1, float *x, size_t stride, float *rows, int backward)
{
    size_t k, i;
    nrxi_ct_wide at = ((nrxi_ct_wide)i0 - s->low) / s->size, end = ((nrxi_ct_wide)i1 - s->low) / s->size;
    for (k = at > 1 ? (size_t)at - 1 : 0; k < slices && (nrxi_ct_wide)k < end; k++) {
        nrxi_ct_wide lo = s->low + (nrxi_ct_wide)k * s->size, hi = lo + s->size;
        float *v = x + (s->flipped ? slices - 1 - k : k) * stride, sum = 0;
        for (i = lo > (nrxi_ct_wide)i0 ? (size_t)lo : i0; i < i1 && (nrxi_ct_wide)i < hi; i++) {
            nrxi_ct_wide a = (nrxi_ct_wide)i > lo ? (nrxi_ct_wide)i : lo, b = (nrxi_ct_wide)i + 1 < hi ? (nrxi_ct_wide)i + 1 : hi;
            if (backward) sum += (float)(b - a) * rows[i - i0];
            else rows[i - i0] += (float)(b - a) * *v;
        }
        if (backward) *v += sum;
    }
}

/* All columns of one row of voxels in one view, rows i0 .. i1-1 of it (at most NRXI_CT_RUN). */
NRXI_FN void nrxi_ct_shadow_row_f32(const nrx_ct_geometry *g, const nrxi_ct_grid *q, nrxi_ct_shadow *s, size_t row, size_t i0, size_t i1, float *volume,
                                    float *sino, int backward)
{
    float rows[NRXI_CT_RUN];
    size_t col, i, j, slices = nrxi_ct_slices(g), stride = g->rows * g->cols;
    for (col = 0; col < g->cols; col++) {
        nrxi_ct_wide top, from;
        size_t a = i0, b = i1;
        nrxi_ct_shadow_of(g, q, row, col, s);
        top = s->low + (nrxi_ct_wide)slices * s->size;
        if (s->j0 >= s->j1 || s->low >= (nrxi_ct_wide)i1 || top <= (nrxi_ct_wide)i0) continue;
        if (s->low > (nrxi_ct_wide)a) a = (size_t)s->low;
        if (top < (nrxi_ct_wide)b) b = (size_t)top + 1 < b ? (size_t)top + 1 : b;
        for (i = a; i < b; i++) rows[i - a] = 0;
        if (!backward) nrxi_ct_shadow_column_f32(s, slices, a, b, volume + row * g->cols + col, stride, rows, 0);
        from = nrxi_ct_shadow_up_to(s->tau, (nrxi_ct_wide)s->j0);
        for (j = s->j0; j < s->j1; j++) {
            nrxi_ct_wide to = nrxi_ct_shadow_up_to(s->tau, (nrxi_ct_wide)j + 1);
            float w = (float)((to - from) * s->chord), *y = sino + j;
            if (backward) for (i = a; i < b; i++) rows[i - a] += w * y[i * g->bins];
            else for (i = a; i < b; i++) y[i * g->bins] += w * rows[i - a];
            from = to;
        }
        if (backward) nrxi_ct_shadow_column_f32(s, slices, a, b, volume + row * g->cols + col, stride, rows, 1);
    }
}

NRXI_FN void nrxi_ct_shadow_forward_f32(void *arg, size_t view)
{
    const nrxi_ct_pass3 *p = (const nrxi_ct_pass3 *)arg;
    const nrx_ct_geometry *g = p->g;
    nrxi_ct_shadow s = nrxi_ct_shadow_view(g, view);
    size_t i, j, row, rows = nrxi_ct_bin_rows(g);
    float *sino = (float *)p->out + view * rows * g->bins;
    memset(sino, 0, rows * g->bins * sizeof *sino);
    for (i = 0; i < rows; i += NRXI_CT_RUN) /* the volume is only read */
        for (row = 0; row < g->rows; row++)
            nrxi_ct_shadow_row_f32(g, &p->grid, &s, row, i, i + NRXI_CT_RUN < rows ? i + NRXI_CT_RUN : rows, (float *)(size_t)p->in, sino, 0);
    for (i = 0; i < rows; i++)
        for (j = 0; j < g->bins; j++) sino[i * g->bins + j] *= (float)nrxi_ct_wide_root(nrxi_ct_slant(&s.f, i, j));
}

/* Of the adjoint: first the slant of every ray (view by view, into the workspace), then row by row of the volume. */
NRXI_FN void nrxi_ct_shadow_slant_f32(void *arg, size_t view)
{
    const nrxi_ct_pass3 *p = (const nrxi_ct_pass3 *)arg;
    nrxi_ct_frame f = nrxi_ct_frame_of(p->g, view);
    size_t i, j, rows = nrxi_ct_bin_rows(p->g), at = view * rows * p->g->bins;
    for (i = 0; i < rows; i++)
        for (j = 0; j < p->g->bins; j++, at++) ((float *)p->work)[at] = ((const float *)p->in)[at] * (float)nrxi_ct_wide_root(nrxi_ct_slant(&f, i, j));
}
NRXI_FN void nrxi_ct_shadow_adjoint_f32(void *arg, size_t row)
{
    const nrxi_ct_pass3 *p = (const nrxi_ct_pass3 *)arg;
    const nrx_ct_geometry *g = p->g;
    size_t i, view, rows = nrxi_ct_bin_rows(g);
    for (view = 0; view < g->views; view++) {
        nrxi_ct_shadow s = nrxi_ct_shadow_view(g, view);
        for (i = 0; i < rows; i += NRXI_CT_RUN)
            nrxi_ct_shadow_row_f32(g, &p->grid, &s, row, i, i + NRXI_CT_RUN < rows ? i + NRXI_CT_RUN : rows, (float *)p->out,
                                   (float *)p->work + view * rows * g->bins, 1);
    }
}
/* <<< twin */

NRXI_FN void nrxi_ct_forward_3d(const nrx_ct_geometry *g, const void *image, void *sino, void *work)
{
    nrxi_ct_pass3 p;
    size_t n = nrx_ct_image_size(g) * nrxi_dtype_size(g->dtype);
    memset(&p, 0, sizeof p);
    p.g = g;
    p.grid = nrxi_ct_grid_of(g);
    p.in = image;
    p.out = sino;
    if (g->mask) { /* a masked copy */
        memcpy(work, image, n);
        nrxi_ct_apply_mask(g, work);
        p.in = work;
    }
    if (nrxi_ct_has_footprints(g)) nrxi_parallel(&g->env, g->views, g->dtype == NRX_F64 ? nrxi_ct_shadow_forward_f64 : nrxi_ct_shadow_forward_f32, &p);
    else nrxi_parallel(&g->env, g->views * nrxi_ct_bin_rows(g), g->dtype == NRX_F64 ? nrxi_ct_forward3_view_f64 : nrxi_ct_forward3_view_f32, &p);
}

NRXI_FN void nrxi_ct_adjoint_3d(const nrx_ct_geometry *g, const void *sino, void *image, void *work)
{
    nrxi_ct_pass3 p;
    memset(&p, 0, sizeof p);
    p.g = g;
    p.grid = nrxi_ct_grid_of(g);
    p.in = sino;
    p.out = image;
    memset(image, 0, nrx_ct_image_size(g) * nrxi_dtype_size(g->dtype));
    p.work = work;
    if (nrxi_ct_has_footprints(g)) {
        nrxi_parallel(&g->env, g->views, g->dtype == NRX_F64 ? nrxi_ct_shadow_slant_f64 : nrxi_ct_shadow_slant_f32, &p);
        nrxi_parallel(&g->env, g->rows, g->dtype == NRX_F64 ? nrxi_ct_shadow_adjoint_f64 : nrxi_ct_shadow_adjoint_f32, &p);
    } else for (p.axis = 0; p.axis < 3; p.axis++) {
        size_t planes = p.axis == 0 ? g->cols : p.axis == 1 ? g->rows : nrxi_ct_slices(g);
        p.block = planes > 64 ? (planes + 7) / 8 : 16; /* every job walks over all rays, so there are few */
        nrxi_parallel(&g->env, (planes + p.block - 1) / p.block, g->dtype == NRX_F64 ? nrxi_ct_adjoint3_block_f64 : nrxi_ct_adjoint3_block_f32, &p);
    }
    nrxi_ct_apply_mask(g, image);
}

/* -- public calls -- */

NRXI_FN size_t nrxi_ct_work(const nrx_ct_geometry *g)
{
    if (nrxi_ct_is_3d(g)) {
        size_t image = g->mask ? nrx_ct_image_size(g) : 1, sino = g->kernel == NRX_CT_AREA ? nrx_ct_sino_size(g) : 1;
        return image > sino ? image : sino;
    }
    return nrxi_ct_work_2d(g);
}

NRXI_FN void nrxi_ct_forward(const nrx_ct_geometry *g, const void *image, void *sino, void *work)
{
    if (nrxi_ct_is_3d(g)) nrxi_ct_forward_3d(g, image, sino, work);
    else nrxi_ct_forward_2d(g, image, sino, work);
}

NRXI_FN void nrxi_ct_adjoint(const nrx_ct_geometry *g, const void *sino, void *image, void *work)
{
    if (nrxi_ct_is_3d(g)) nrxi_ct_adjoint_3d(g, sino, image, work);
    else nrxi_ct_adjoint_2d(g, sino, image, work);
}

NRXI_FN nrx_status nrxi_ct_once(const nrx_ct_geometry *g, const void *in, void *out, int forward)
{
    const char *who = forward ? "nrx_ct_project" : "nrx_ct_backproject";
    void *work;
    nrx_status status = nrxi_ct_check(g, who);
    if (status != NRX_OK) return status;
    if (!in || !out || in == out) return nrxi_fail(&g->env, NRX_E_ARG, "%s: image and sinogram must be two arrays, not NULL", who);
    work = nrxi_alloc(&g->env, nrxi_ct_work(g), nrxi_dtype_size(g->dtype));
    if (!work) return nrxi_fail(&g->env, NRX_E_NOMEM, "%s: no memory for a workspace of %zu elements", who, nrxi_ct_work(g));
    if (forward) nrxi_ct_forward(g, in, out, work);
    else nrxi_ct_adjoint(g, in, out, work);
    nrxi_free(&g->env, work);
    return NRX_OK;
}

NRX_DEF nrx_status nrx_ct_project(const nrx_ct_geometry *g, const void *image, void *sino) { return nrxi_ct_once(g, image, sino, 1); }
NRX_DEF nrx_status nrx_ct_backproject(const nrx_ct_geometry *g, const void *sino, void *image) { return nrxi_ct_once(g, sino, image, 0); }

/* -- norm: power iteration with bounds from both sides -- */

/* Reads or writes element i of an array of either precision; for loops that are not hot. */
NRXI_FN double nrxi_ct_get(const void *x, int dtype, size_t i) { return dtype == NRX_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i]; }
NRXI_FN void nrxi_ct_set(void *x, int dtype, size_t i, double v)
{
    if (dtype == NRX_F32) ((float *)x)[i] = (float)v;
    else ((double *)x)[i] = v;
}

/* Sum of the products, in blocks of 128 folded in index order. */
NRXI_FN double nrxi_ct_dot(const void *x, const void *y, size_t n, int dtype)
{
    double total = 0;
    size_t i, k;
    for (i = 0; i < n; i = k) {
        double part = 0;
        if (dtype == NRX_F32) for (k = i; k < n && k < i + 128; k++) part += (double)((const float *)x)[k] * (double)((const float *)y)[k];
        else for (k = i; k < n && k < i + 128; k++) part += ((const double *)x)[k] * ((const double *)y)[k];
        total += part;
    }
    return total;
}

NRXI_FN nrx_status nrxi_ct_norm_work(const nrx_ct_geometry *g, int iterations, double *estimate, double *upper, void *work)
{
    size_t n = nrx_ct_image_size(g), m = nrx_ct_sino_size(g), bytes = nrxi_dtype_size(g->dtype), i;
    void *p = nrxi_alloc(&g->env, n, bytes), *q = nrxi_alloc(&g->env, n, bytes), *y = nrxi_alloc(&g->env, m, bytes);
    double low = 0, high = 0, largest = 1;
    int it;
    if (p && q && y) {
        for (i = 0; i < n; i++) nrxi_ct_set(p, g->dtype, i, 1);
        for (it = 0; it < iterations && largest > 0; it++) {
            double bound = 0;
            nrxi_ct_forward(g, p, y, work);
            nrxi_ct_adjoint(g, y, q, work);
            low = sqrt(nrxi_ct_dot(y, y, m, g->dtype) / nrxi_ct_dot(p, p, n, g->dtype));
            largest = 0;
            for (i = 0; i < n; i++) {
                double pi = nrxi_ct_get(p, g->dtype, i), qi = nrxi_ct_get(q, g->dtype, i);
                if (pi > 0 && qi / pi > bound) bound = qi / pi;
                if (qi > largest) largest = qi;
            }
            if (it == 0 || bound < high) high = bound;
            /* keep p away from zero where the rays see a pixel, or the bound would be lost to rounding */
            if (largest > 0) for (i = 0; i < n; i++) {
                double qi = nrxi_ct_get(q, g->dtype, i) / largest;
                nrxi_ct_set(p, g->dtype, i, qi > 0 && qi < 1e-6 ? 1e-6 : qi);
            }
        }
        high = sqrt(high) * (g->dtype == NRX_F32 ? 1 + 1e-5 : 1 + 1e-12);
    }
    if (estimate) *estimate = low;
    if (upper) *upper = high;
    it = p && q && y;
    nrxi_free(&g->env, p);
    nrxi_free(&g->env, q);
    nrxi_free(&g->env, y);
    return it ? NRX_OK : NRX_E_NOMEM;
}

NRX_DEF nrx_status nrx_ct_norm(const nrx_ct_geometry *g, int iterations, double *estimate, double *upper)
{
    nrx_status status = nrxi_ct_check(g, "nrx_ct_norm");
    void *work;
    if (status != NRX_OK) return status;
    if (iterations < 0) return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_norm: %d iterations", iterations);
    work = nrxi_alloc(&g->env, nrxi_ct_work(g), nrxi_dtype_size(g->dtype));
    status = work ? nrxi_ct_norm_work(g, iterations ? iterations : 20, estimate, upper, work) : NRX_E_NOMEM;
    nrxi_free(&g->env, work);
    return status == NRX_OK ? status : nrxi_fail(&g->env, status, "nrx_ct_norm: no memory for an image and a sinogram");
}

/* -- the operator door -- */

typedef struct nrxi_ct_operator {
    nrx_ct_geometry g;
    void *work;
} nrxi_ct_operator;

NRXI_FN nrx_status nrxi_ct_operator_apply(void *user, const void *x, void *y)
{
    nrxi_ct_operator *op = (nrxi_ct_operator *)user;
    nrxi_ct_forward(&op->g, x, y, op->work);
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_ct_operator_adjoint(void *user, const void *y, void *x)
{
    nrxi_ct_operator *op = (nrxi_ct_operator *)user;
    nrxi_ct_adjoint(&op->g, y, x, op->work);
    return NRX_OK;
}

/* The operator without its norm. */
NRXI_FN nrx_status nrxi_ct_operator_new(const nrx_ct_geometry *g, nrx_linop *op, const char *who)
{
    nrxi_ct_operator *o = (nrxi_ct_operator *)nrxi_alloc(&g->env, 1, sizeof *o);
    if (o) {
        o->g = *g;
        o->work = nrxi_alloc(&g->env, nrxi_ct_work(g), nrxi_dtype_size(g->dtype));
    }
    if (!o || !o->work) {
        nrxi_free(&g->env, o);
        return nrxi_fail(&g->env, NRX_E_NOMEM, "%s: no memory for a workspace of %zu elements", who, nrxi_ct_work(g));
    }
    op->apply = nrxi_ct_operator_apply;
    op->adjoint = nrxi_ct_operator_adjoint;
    op->user = o;
    op->rows = nrx_ct_sino_size(g);
    op->cols = nrx_ct_image_size(g);
    op->dtype = g->dtype;
    op->norm = 0;
    return NRX_OK;
}

NRX_DEF nrx_status nrx_ct_linop(const nrx_ct_geometry *g, nrx_linop *op)
{
    nrx_status status = nrxi_ct_check(g, "nrx_ct_linop");
    if (status != NRX_OK) return status;
    if (!op) return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_linop: operator is NULL");
    memset(op, 0, sizeof *op);
    if ((status = nrxi_ct_operator_new(g, op, "nrx_ct_linop")) != NRX_OK) return status;
    status = nrxi_ct_norm_work(g, 1, NULL, &op->norm, ((nrxi_ct_operator *)op->user)->work);
    if (status == NRX_OK) return status;
    nrx_ct_linop_free(op);
    return nrxi_fail(&g->env, status, "nrx_ct_linop: no memory for an image and a sinogram");
}

NRX_DEF void nrx_ct_linop_free(nrx_linop *op)
{
    nrxi_ct_operator *o;
    nrx_env env;
    if (!op || !op->user) return;
    o = (nrxi_ct_operator *)op->user;
    env = o->g.env;
    nrxi_free(&env, o->work);
    nrxi_free(&env, o);
    memset(op, 0, sizeof *op);
}

/* ==== geometry files ==== */

typedef struct nrxi_ct_reader {
    const char *text;
    size_t size, at;
    int line;
    const char *key, *value;        /* not terminated */
    size_t key_size, value_size;
    const char *directory;          /* of the file, with its separator; NULL: from memory */
    size_t directory_size;
    const nrx_env *env;
    char shown[64];                 /* the key or value for the log */
} nrxi_ct_reader;

NRXI_FN const char *nrxi_ct_show(nrxi_ct_reader *r, const char *s, size_t n)
{
    size_t i;
    if (n > sizeof r->shown - 1) n = sizeof r->shown - 1;
    for (i = 0; i < n; i++) r->shown[i] = s[i] >= 32 && s[i] < 127 ? s[i] : '?';
    r->shown[n] = 0;
    return r->shown;
}

NRXI_FN int nrxi_ct_is_space(char c) { return c == ' ' || c == '\t' || c == '\r'; }

NRXI_FN void nrxi_ct_trim(const char **s, size_t *n)
{
    while (*n && nrxi_ct_is_space(**s)) { ++*s; --*n; }
    while (*n && nrxi_ct_is_space((*s)[*n - 1])) --*n;
}

/* Next key and value: 1, 0 at the end, -1 for a line without '='. */
NRXI_FN int nrxi_ct_next(nrxi_ct_reader *r)
{
    while (r->at < r->size) {
        const char *s = r->text + r->at, *eq;
        size_t n = 0, k;
        while (r->at + n < r->size && s[n] != '\n') n++;
        r->at += n + (r->at + n < r->size);
        r->line++;
        for (k = 0; k < n && s[k] != '#'; k++) { }
        n = k;
        nrxi_ct_trim(&s, &n);
        if (n == 0) continue;
        eq = (const char *)memchr(s, '=', n);
        r->key = s;
        r->key_size = eq ? (size_t)(eq - s) : n;
        if (!eq) return -1;
        r->value = eq + 1;
        r->value_size = n - r->key_size - 1;
        nrxi_ct_trim(&r->key, &r->key_size);
        nrxi_ct_trim(&r->value, &r->value_size);
        return 1;
    }
    return 0;
}

NRXI_FN int nrxi_ct_same(const char *s, size_t n, const char *word) { return strlen(word) == n && memcmp(s, word, n) == 0; }

/* A decimal number, whatever the locale; advances *s. 0 when there is none or it is out of range. */
NRXI_FN int nrxi_ct_number(const char **s, size_t *n, double *v)
{
    const char *p = *s, *end = p + *n;
    double m = 0, sign = 1;
    int digits = 0, e = 0, es = 1, ee = 0;
    while (p < end && nrxi_ct_is_space(*p)) p++;
    if (p < end && (*p == '-' || *p == '+')) sign = *p++ == '-' ? -1 : 1;
    for (; p < end && *p >= '0' && *p <= '9'; p++, digits++) m = m * 10 + (*p - '0');
    if (p < end && *p == '.') for (p++; p < end && *p >= '0' && *p <= '9'; p++, digits++, e--) m = m * 10 + (*p - '0');
    if (digits == 0 || digits > 300) return 0;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '-' || *p == '+')) es = *p++ == '-' ? -1 : 1;
        if (p == end || *p < '0' || *p > '9') return 0;
        for (; p < end && *p >= '0' && *p <= '9'; p++) if (ee < 1000) ee = ee * 10 + (*p - '0');
        e += es * ee;
    }
    if (p < end && !nrxi_ct_is_space(*p)) return 0;
    *v = sign * (e < 0 ? m / pow(10, -e) : m * pow(10, e));
    *n -= (size_t)(p - *s);
    *s = p;
    return nrxi_finite_f64(v);
}

/* Between `least` and `most` numbers; how many there were, 0 = wrong. */
NRXI_FN int nrxi_ct_numbers(nrxi_ct_reader *r, int least, int most, double *v)
{
    const char *s = r->value;
    size_t n = r->value_size;
    int k;
    for (k = 0; k < most && n; k++) {
        if (!nrxi_ct_number(&s, &n, &v[k])) return 0;
        nrxi_ct_trim(&s, &n);
    }
    return n == 0 && k >= least ? k : 0;
}

enum { NRXI_CT_K_GEOMETRY, NRXI_CT_K_COUNT, NRXI_CT_K_ROWS, NRXI_CT_K_PITCH, NRXI_CT_K_PITCH_V, NRXI_CT_K_CENTRE, NRXI_CT_K_CENTRE_V,
       NRXI_CT_K_OFFSET, NRXI_CT_K_OFFSET_V, NRXI_CT_K_SOD, NRXI_CT_K_SDD, NRXI_CT_K_ANGLES, NRXI_CT_K_UNIT, NRXI_CT_K_START, NRXI_CT_K_STEP,
       NRXI_CT_K_VIEWS, NRXI_CT_K_SIGN, NRXI_CT_K_IMAGE, NRXI_CT_K_PIXEL, NRXI_CT_K_IMAGE_CENTRE, NRXI_CT_K_AXIS, NRXI_CT_K_TILT,
       NRXI_CT_K_ROLL, NRXI_CT_K_KERNEL, NRXI_CT_K_HELIX, NRXI_CT_KEYS };

typedef struct nrxi_ct_file {
    double v[NRXI_CT_KEYS][3];
    int    given[NRXI_CT_KEYS];   /* how many numbers, or 1 for words */
    const char *angles;
    size_t angles_size;
} nrxi_ct_file;

NRXI_FN int nrxi_ct_find_key(const char *s, size_t n)
{
    static const char name[NRXI_CT_KEYS][20] = {"geometry", "detector_count", "detector_rows", "detector_pitch", "detector_pitch_v", "detector_centre",
        "detector_centre_v", "detector_offset", "detector_offset_v", "source_origin", "source_detector", "angles", "angle_unit", "angle_start",
        "angle_step", "views", "angle_sign", "image_size", "pixel_size", "image_centre", "axis_shift", "detector_tilt", "detector_roll", "kernel",
        "helix_pitch"};
    int k;
    for (k = 0; k < NRXI_CT_KEYS; k++) if (nrxi_ct_same(s, n, name[k])) return k;
    return -1;
}

/* The index of a word in a list of words of 12 characters; -1 when it is not there. */
NRXI_FN int nrxi_ct_word(const nrxi_ct_reader *r, const char words[][12], int n)
{
    int k;
    for (k = 0; k < n; k++) if (nrxi_ct_same(r->value, r->value_size, words[k])) return k;
    return -1;
}

NRXI_FN nrx_status nrxi_ct_read_value(nrxi_ct_reader *r, int key, nrxi_ct_file *f)
{
    static const char kinds[4][12] = {"parallel", "fan_flat", "fan_curved", "cone"}, units[2][12] = {"rad", "deg"},
                      kernels[3][12] = {"joseph", "siddon", "area"};
    int n, word = 0;
    f->given[key] = 1;
    switch (key) {
    case NRXI_CT_K_GEOMETRY: word = nrxi_ct_word(r, kinds, 4); break;
    case NRXI_CT_K_UNIT: word = nrxi_ct_word(r, units, 2); break;
    case NRXI_CT_K_KERNEL: word = nrxi_ct_word(r, kernels, 3); break;
    case NRXI_CT_K_ANGLES: f->angles = r->value; f->angles_size = r->value_size; return NRX_OK;
    default:
        n = key == NRXI_CT_K_IMAGE || key == NRXI_CT_K_IMAGE_CENTRE ? nrxi_ct_numbers(r, 2, 3, f->v[key])
                                                                    : nrxi_ct_numbers(r, 1, key == NRXI_CT_K_PIXEL ? 3 : 1, f->v[key]);
        if (n == 0) return nrxi_fail(r->env, NRX_E_FORMAT, "nrx_ct_geometry_load: line %d: '%s' is not what this key takes", r->line,
                                     nrxi_ct_show(r, r->value, r->value_size));
        f->given[key] = n;
        return NRX_OK;
    }
    if (word < 0) return nrxi_fail(r->env, NRX_E_FORMAT, "nrx_ct_geometry_load: line %d: '%s' is unknown here", r->line,
                                   nrxi_ct_show(r, r->value, r->value_size));
    f->v[key][0] = word;
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_ct_read_keys(nrxi_ct_reader *r, nrxi_ct_file *f)
{
    static const int needed[4] = {NRXI_CT_K_GEOMETRY, NRXI_CT_K_COUNT, NRXI_CT_K_PITCH, NRXI_CT_K_IMAGE};
    static const char *const missing[4] = {"geometry", "detector_count", "detector_pitch", "image_size"};
    int next, k;
    memset(f, 0, sizeof *f);
    while ((next = nrxi_ct_next(r)) != 0) {
        int key = nrxi_ct_find_key(r->key, r->key_size);
        nrx_status status;
        if (next < 0) return nrxi_fail(r->env, NRX_E_FORMAT, "nrx_ct_geometry_load: line %d: expected key = value, found '%s'", r->line,
                                       nrxi_ct_show(r, r->key, r->key_size));
        if (key < 0) return nrxi_fail(r->env, NRX_E_FORMAT, "nrx_ct_geometry_load: line %d: unknown key '%s'", r->line,
                                      nrxi_ct_show(r, r->key, r->key_size));
        if (f->given[key]) return nrxi_fail(r->env, NRX_E_FORMAT, "nrx_ct_geometry_load: line %d: '%s' stands there twice", r->line,
                                            nrxi_ct_show(r, r->key, r->key_size));
        if ((status = nrxi_ct_read_value(r, key, f)) != NRX_OK) return status;
    }
    for (k = 0; k < 4; k++)
        if (!f->given[needed[k]]) return nrxi_fail(r->env, NRX_E_FORMAT, "nrx_ct_geometry_load: '%s' is missing", missing[k]);
    if (f->v[NRXI_CT_K_GEOMETRY][0] > 0 && (!f->given[NRXI_CT_K_SOD] || !f->given[NRXI_CT_K_SDD]))
        return nrxi_fail(r->env, NRX_E_FORMAT, "nrx_ct_geometry_load: this geometry needs 'source_origin' and 'source_detector'");
    if (!f->given[NRXI_CT_K_ANGLES] && !(f->given[NRXI_CT_K_VIEWS] && f->given[NRXI_CT_K_STEP]))
        return nrxi_fail(r->env, NRX_E_FORMAT, "nrx_ct_geometry_load: needs 'angles', or 'views' and 'angle_step'");
    return NRX_OK;
}

/* A whole number of things in 1 .. 2^30; 0 when it is not. */
NRXI_FN size_t nrxi_ct_whole(double v) { return v >= 1 && v <= 1073741824.0 && v == floor(v) ? (size_t)v : 0; }

NRXI_FN nrx_status nrxi_ct_read_angles(nrxi_ct_reader *r, const nrxi_ct_file *f, double scale, nrx_ct_geometry *g)
{
    size_t shape[NRXI_NPY_NDIM], i, n = r->directory_size + f->angles_size;
    int ndim;
    void *data;
    char *path;
    nrx_status status;
    if (!r->directory) return nrxi_fail(r->env, NRX_E_UNSUPPORTED, "nrx_ct_geometry_parse: an angle file needs nrx_ct_geometry_load");
    path = (char *)nrxi_alloc(r->env, n + 1, 1);
    if (!path) return nrxi_fail(r->env, NRX_E_NOMEM, "nrx_ct_geometry_load: no memory for a path");
    if (f->angles_size && f->angles[0] == '/') n = f->angles_size;
    else memcpy(path, r->directory, r->directory_size);
    memcpy(path + n - f->angles_size, f->angles, f->angles_size);
    path[n] = 0;
    status = nrxi_npy_load(path, NRX_F64, &data, shape, &ndim, r->env);
    nrxi_free(r->env, path);
    if (status != NRX_OK) return status;
    g->owned = data;
    g->angles = (const double *)data;
    for (g->views = 1, i = 0; i < (size_t)ndim; i++) g->views *= shape[i];
    for (i = 0; i < g->views; i++) ((double *)data)[i] *= scale;
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_ct_read_geometry(nrxi_ct_reader *r, nrx_ct_geometry *g)
{
    nrxi_ct_file f;
    nrx_status status;
    double scale;
    memset(g, 0, sizeof *g);
    if (r->env) g->env = *r->env;
    if ((status = nrxi_ct_read_keys(r, &f)) != NRX_OK) return status;
    g->kind = f.v[NRXI_CT_K_GEOMETRY][0] > 2 ? NRX_CT_FAN_FLAT : (int)f.v[NRXI_CT_K_GEOMETRY][0];
    g->kernel = (int)f.v[NRXI_CT_K_KERNEL][0];
    g->rows = nrxi_ct_whole(f.v[NRXI_CT_K_IMAGE][0]);
    g->cols = nrxi_ct_whole(f.v[NRXI_CT_K_IMAGE][1]);
    g->slices = f.given[NRXI_CT_K_IMAGE] > 2 ? nrxi_ct_whole(f.v[NRXI_CT_K_IMAGE][2]) : 1;
    g->bins = nrxi_ct_whole(f.v[NRXI_CT_K_COUNT][0]);
    g->bin_rows = f.given[NRXI_CT_K_ROWS] ? nrxi_ct_whole(f.v[NRXI_CT_K_ROWS][0]) : 1;
    if (!g->rows || !g->cols || !g->slices || !g->bins || !g->bin_rows)
        return nrxi_fail(r->env, NRX_E_FORMAT, "nrx_ct_geometry_load: image_size, detector_count and detector_rows are whole numbers above 0");
    g->pixel = f.given[NRXI_CT_K_PIXEL] ? f.v[NRXI_CT_K_PIXEL][0] : 1;
    g->pixel_y = f.v[NRXI_CT_K_PIXEL][1];
    g->pixel_z = f.v[NRXI_CT_K_PIXEL][2];
    g->centre_x = f.v[NRXI_CT_K_IMAGE_CENTRE][0];
    g->centre_y = f.v[NRXI_CT_K_IMAGE_CENTRE][1];
    g->centre_z = f.v[NRXI_CT_K_IMAGE_CENTRE][2];
    g->pitch = f.v[NRXI_CT_K_PITCH][0];
    g->pitch_v = f.v[NRXI_CT_K_PITCH_V][0];
    g->offset = f.v[NRXI_CT_K_OFFSET][0];
    g->offset_v = f.v[NRXI_CT_K_OFFSET_V][0];
    if (f.given[NRXI_CT_K_CENTRE]) g->offset = (0.5 * ((double)g->bins - 1) - f.v[NRXI_CT_K_CENTRE][0]) * g->pitch;
    if (f.given[NRXI_CT_K_CENTRE_V])
        g->offset_v = (0.5 * ((double)g->bin_rows - 1) - f.v[NRXI_CT_K_CENTRE_V][0]) * (g->pitch_v != 0 ? g->pitch_v : g->pitch);
    g->sod = f.v[NRXI_CT_K_SOD][0];
    g->sdd = f.v[NRXI_CT_K_SDD][0];
    scale = (f.v[NRXI_CT_K_UNIT][0] > 0 ? NRX_PI / 180 : 1) * (f.given[NRXI_CT_K_SIGN] ? f.v[NRXI_CT_K_SIGN][0] : 1);
    g->start = f.v[NRXI_CT_K_START][0] * scale;
    g->step = f.v[NRXI_CT_K_STEP][0] * scale;
    g->axis_shift = f.v[NRXI_CT_K_AXIS][0];
    g->tilt = f.v[NRXI_CT_K_TILT][0];
    g->roll = f.v[NRXI_CT_K_ROLL][0];
    g->helix_pitch = f.v[NRXI_CT_K_HELIX][0];
    if (f.given[NRXI_CT_K_ANGLES]) {
        if ((status = nrxi_ct_read_angles(r, &f, scale, g)) != NRX_OK) return status;
    } else if (f.v[NRXI_CT_K_VIEWS][0] <= 1e6) g->views = nrxi_ct_whole(f.v[NRXI_CT_K_VIEWS][0]);
    else return nrxi_fail(r->env, NRX_E_RANGE, "nrx_ct_geometry_load: %g views, at most a million", f.v[NRXI_CT_K_VIEWS][0]);
    return nrxi_ct_check(g, "nrx_ct_geometry_load");
}

NRX_DEF void nrx_ct_geometry_free(nrx_ct_geometry *g)
{
    if (!g) return;
    nrxi_free(&g->env, g->owned);
    if (g->owned == (const void *)g->angles) g->angles = NULL;
    if (g->owned == (const void *)g->vectors) g->vectors = NULL;
    g->owned = NULL;
}

NRX_DEF nrx_status nrx_ct_geometry_parse(const char *text, size_t size, nrx_ct_geometry *g, const nrx_env *env)
{
    nrxi_ct_reader r;
    nrx_status status;
    if (!text || !g) return nrxi_fail(env, NRX_E_ARG, "nrx_ct_geometry_parse: text or geometry is NULL");
    memset(&r, 0, sizeof r);
    r.text = text;
    r.size = size;
    r.env = env;
    status = nrxi_ct_read_geometry(&r, g);
    if (status != NRX_OK) nrx_ct_geometry_free(g);
    return status;
}

NRX_DEF nrx_status nrx_ct_geometry_load(const char *path, nrx_ct_geometry *g, const nrx_env *env)
{
    nrxi_ct_reader r;
    unsigned char *bytes;
    nrx_status status;
    if (!path || !g) return nrxi_fail(env, NRX_E_ARG, "nrx_ct_geometry_load: path or geometry is NULL");
    memset(&r, 0, sizeof r);
    memset(g, 0, sizeof *g);
    status = nrxi_file_read(path, &bytes, &r.size, env);
    if (status != NRX_OK) return status;
    r.text = (const char *)bytes;
    r.env = env;
    r.directory = path;
    for (r.directory_size = strlen(path); r.directory_size && path[r.directory_size - 1] != '/' && path[r.directory_size - 1] != '\\'; r.directory_size--) { }
    status = nrxi_ct_read_geometry(&r, g);
    if (status != NRX_OK) nrx_ct_geometry_free(g);
    nrxi_free(env, bytes);
    return status;
}

NRX_DEF nrx_status nrx_ct_load_npy(const char *path, int dtype, size_t count, void **data, const nrx_env *env)
{
    size_t shape[NRXI_NPY_NDIM], n = 1;
    int ndim, k;
    nrx_status status;
    if (!path || !data || (dtype != NRX_F32 && dtype != NRX_F64)) return nrxi_fail(env, NRX_E_ARG, "nrx_ct_load_npy: path or data is NULL, or dtype %d", dtype);
    *data = NULL;
    status = nrxi_npy_load(path, dtype, data, shape, &ndim, env);
    if (status != NRX_OK) return status;
    for (k = 0; k < ndim; k++) n *= shape[k];
    if (n == count) return NRX_OK;
    nrxi_free(env, *data);
    *data = NULL;
    return nrxi_fail(env, NRX_E_SHAPE, "nrx_ct_load_npy: %s holds %zu values, expected %zu", path, n, count);
}

NRX_DEF void nrx_ct_free(void *data, const nrx_env *env) { nrxi_free(env, data); }

/* ==== filtered back projection ==== */

/* -- view weights -- */

typedef struct nrxi_ct_sorted { double t; size_t view; } nrxi_ct_sorted;

NRXI_FN void nrxi_ct_sort(nrxi_ct_sorted *x, size_t n) /* heap sort by angle */
{
    size_t start = n / 2, end = n;
    while (end > 1) {
        size_t root, child;
        nrxi_ct_sorted v;
        if (start > 0) v = x[--start];
        else { v = x[--end]; x[end] = x[0]; }
        for (root = start; (child = 2 * root + 1) < end; root = child) {
            if (child + 1 < end && x[child + 1].t > x[child].t) child++;
            if (!(x[child].t > v.t)) break;
            x[root] = x[child];
        }
        x[root] = v;
    }
}

/* What the views cover: the weights of all views (half the way to both neighbours on the circle of circumference `period`), the first
   angle after the largest gap, and the range from there to the last view. Gaps far above the usual one are not filled. */
typedef struct nrxi_ct_cover { double first, range; int full; } nrxi_ct_cover;

NRXI_FN nrxi_ct_cover nrxi_ct_view_weights(nrxi_ct_bp *bp, size_t n, double period, nrxi_ct_sorted *order)
{
    nrxi_ct_cover c;
    double typical, widest = -1;
    size_t i, at = 0;
    for (i = 0; i < n; i++) {
        double t = fmod(bp[i].t, period);
        if (t < 0) t += period;
        if (period - t < 1e-9 * period) t = 0;
        order[i].t = t;
        order[i].view = i;
    }
    nrxi_ct_sort(order, n);
    for (i = 0; i < n; i++) {
        double gap = i + 1 < n ? order[i + 1].t - order[i].t : order[0].t + period - order[i].t;
        if (gap > widest) { widest = gap; at = i; }
    }
    typical = n > 1 ? (period - widest) / (double)(n - 1) : period;
    c.full = widest <= 4 * typical + 1e-9;
    c.first = order[(at + 1) % n].t;
    c.range = n > 1 ? period - widest + typical : 0; /* each view stands for half a step on both sides */
    for (i = 0; i < n; i++) {
        double before = i > 0 ? order[i].t - order[i - 1].t : order[0].t + period - order[n - 1].t;
        double after = i + 1 < n ? order[i + 1].t - order[i].t : order[0].t + period - order[n - 1].t;
        if (before > 4 * typical) before = typical;
        if (after > 4 * typical) after = typical;
        bp[order[i].view].weight = 0.5 * (before + after);
    }
    return c;
}

/* Parker's weights in the sense of rotation used here: ray angle gamma, b = angle since the first view, gm = (range - pi) / 2. */
NRXI_FN double nrxi_ct_parker(double b, double gamma, double gm)
{
    double s;
    if (b < 0 || b > NRX_PI + 2 * gm) return 0;
    if (b < 2 * (gm + gamma)) s = sin(0.25 * NRX_PI * b / (gm + gamma));
    else if (b <= NRX_PI + 2 * gamma) return 1;
    else s = sin(0.25 * NRX_PI * (NRX_PI + 2 * gm - b) / (gm - gamma));
    return s * s;
}

/* -- filter -- */

/* Windows at part x of the pass band, 0 <= x <= 1. */
NRXI_FN double nrxi_ct_window(int window, double x)
{
    double w = 0.5 * NRX_PI * x;
    switch (window) {
    case NRX_CT_SHEPP_LOGAN: return w > 0 ? sin(w) / w : 1;
    case NRX_CT_COSINE: return cos(w);
    case NRX_CT_HAMMING: return 0.54 + 0.46 * cos(2 * w);
    case NRX_CT_HANN: return 0.5 + 0.5 * cos(2 * w);
    default: return 1;
    }
}

/* A complex transform of length n, a power of two, that filters two real signals at once: one is the real, one the imaginary part, and
   the filter is real. Forward leaves the spectrum in bit-reversed order and backward takes it from there (Gentleman and Sande 1966,
   Cooley and Tukey 1965), so nothing is ever reordered. c, s: cosines and sines of pi k / h at h + k for h = 1, 2, 4 ... n/2, k < h. */
#if defined(NRXI_VEC)
typedef nrxi_f64x2 nrxi_ct_lane;
typedef nrxi_f64x2u nrxi_ct_lane_at;
#define NRXI_CT_LANES 2
#else
typedef double nrxi_ct_lane, nrxi_ct_lane_at;
#define NRXI_CT_LANES 1
#endif
#define NRXI_CT_LANE(p) (*(nrxi_ct_lane_at *)(p))
#define NRXI_CT_LANE_OF(p) (*(const nrxi_ct_lane_at *)(p))

NRXI_FN void nrxi_ct_butterflies(double *re, double *im, size_t h, const double *c, const double *s, int backward)
{
    size_t k = 0;
    for (; k + NRXI_CT_LANES <= h; k += NRXI_CT_LANES) {
        nrxi_ct_lane a = NRXI_CT_LANE(re + k), b = NRXI_CT_LANE(im + k), p = NRXI_CT_LANE(re + h + k), q = NRXI_CT_LANE(im + h + k);
        nrxi_ct_lane x = NRXI_CT_LANE_OF(c + k), y = NRXI_CT_LANE_OF(s + k), t = a - p, u = b - q;
        if (backward) { t = p * x - q * y; u = q * x + p * y; p = t; q = u; t = a - p; u = b - q; }
        NRXI_CT_LANE(re + k) = a + p;
        NRXI_CT_LANE(im + k) = b + q;
        NRXI_CT_LANE(re + h + k) = backward ? t : t * x + u * y;
        NRXI_CT_LANE(im + h + k) = backward ? u : u * x - t * y;
    }
    for (; k < h; k++) { /* h = 1: the factor is one */
        double p = re[h + k], q = im[h + k];
        re[h + k] = re[k] - p;
        im[h + k] = im[k] - q;
        re[k] += p;
        im[k] += q;
    }
}

NRXI_FN void nrxi_ct_transform(size_t n, double *re, double *im, const double *c, const double *s, int backward)
{
    size_t h, at;
    for (h = backward ? 1 : n / 2; h > 0 && h < n; h = backward ? 2 * h : h / 2)
        for (at = 0; at < n; at += 2 * h) nrxi_ct_butterflies(re + at, im + at, h, c + h, s + h, backward);
}

/* gain[k], in bit-reversed order: spectrum of pitch times the ramp sampled in space, over n; d_gamma > 0 makes it the equiangular fan's
   kernel. turn: the cosines, then the sines of the transform, which are filled here; zeros: n numbers of workspace. */
NRXI_FN void nrxi_ct_ramp(size_t n, size_t bins, double pitch, double d_gamma, int window, double cutoff, double *turn, double *gain, double *zeros)
{
    size_t k, h, i, bit;
    for (h = 1; h < n; h *= 2) for (k = 0; k < h; k++) nrxi_ct_cos_sin(NRX_PI * (double)k / (double)h, &turn[h + k], &turn[n + h + k]);
    for (k = 0; k < n; k++) {
        double d = (double)(k <= n / 2 ? k : n - k), v = k == 0 ? 0.25 / pitch : k & 1 ? -1 / (NRX_PI * NRX_PI * d * d * pitch) : 0;
        if (d_gamma > 0 && k > 0) {
            double s = d * d_gamma / sin(d * d_gamma);
            v = d < (double)bins ? v * s * s : 0;
        }
        gain[k] = v;
        zeros[k] = 0;
    }
    nrxi_ct_transform(n, gain, zeros, turn, turn + n, 0);
    for (k = 0, i = 0; k < n; k++) { /* i: k with its bits reversed */
        double x = 2 * (double)(i <= n / 2 ? i : n - i) / (double)n / cutoff;
        gain[k] = x <= 1 + 1e-12 ? gain[k] / (double)n * nrxi_ct_window(window, x) : 0;
        for (bit = n / 2; i & bit; bit /= 2) i ^= bit;
        i |= bit;
    }
}

typedef struct nrxi_ct_fbp {
    const nrx_ct_geometry *g;
    nrxi_ct_grid grid;
    nrx_ct_fbp_desc d;
    const void *in;
    void *out, *q;            /* q: filtered views with the zeros of a line around each */
    nrxi_ct_bp *bp;
    double *gain, *turn, *work, *pre; /* pre: weight of each bin [bin_row][bin] before filtering */
    size_t n, jobs;           /* length of the transform; jobs of the filter, each works with 2 n doubles */
    size_t bin_rows;
    size_t before, total;     /* filtered views have `total` bins, the first `before` of them not measured */
    nrxi_ct_cover cover;
    double factor;
    int parker, helix;
    double parker_gm;
} nrxi_ct_fbp;

/* Where a ray lies across the axis: its angle in the fan, or its s. */
NRXI_FN double nrxi_ct_across(const nrxi_ct_frame *f, double bin)
{
    double p[3], d[3], o[2];
    nrxi_ct_ray(f, bin, f->mid_v, p, d);
    o[0] = -p[0]; o[1] = -p[1];
    if (f->divergent) return -atan2(nrxi_ct_cross(o, d), o[0] * d[0] + o[1] * d[1]);
    return nrxi_ct_cross(d, o) / sqrt(d[0] * d[0] + d[1] * d[1]);
}

/* Continues a truncated view by `extend` values on each side, falling to zero as a quarter cosine; the signal is periodic. */
NRXI_FN void nrxi_ct_extend(double *z, size_t n, size_t first, size_t bins, size_t extend)
{
    size_t k, last = first + bins - 1;
    for (k = 1; k <= extend; k++) {
        double c = cos(0.5 * NRX_PI * (double)k / (double)(extend + 1));
        z[last + k] = c * z[last];
        z[(first + n - k) % n] = c * z[first];
    }
}

/* One row of bins of one view, weighted and continued, into z. */
NRXI_FN void nrxi_ct_fbp_load(const nrxi_ct_fbp *p, size_t row, double *z)
{
    const nrx_ct_geometry *g = p->g;
    size_t k, view = row / p->bin_rows;
    const double *pre = p->pre + row % p->bin_rows * g->bins;
    memset(z, 0, p->n * sizeof *z);
    for (k = 0; k < g->bins; k++) z[p->before + k] = nrxi_ct_get(p->in, g->dtype, row * g->bins + k) * pre[k];
    if (p->parker) {
        nrxi_ct_frame f = nrxi_ct_frame_of(g, view);
        double b = p->bp[view].t - p->cover.first;
        b -= 2 * NRX_PI * floor(b / (2 * NRX_PI));
        if (2 * NRX_PI - b < 1e-9) b = 0;
        for (k = 0; k < g->bins; k++) z[p->before + k] *= nrxi_ct_parker(b, nrxi_ct_across(&f, (double)k), p->parker_gm);
    }
    nrxi_ct_extend(z, p->n, p->before, g->bins, p->d.extend);
}

/* Filters the rows of a job in pairs. */
NRXI_FN void nrxi_ct_fbp_filter(void *arg, size_t job)
{
    const nrxi_ct_fbp *p = (const nrxi_ct_fbp *)arg;
    size_t rows = p->g->views * p->bin_rows, row = rows * job / p->jobs, last = rows * (job + 1) / p->jobs, n = p->n, k, i;
    double *z = p->work + job * 2 * n;
    for (; row < last; row += 2) {
        size_t count = row + 1 < last ? 2 : 1;
        if (count == 1) memset(z + n, 0, n * sizeof *z);
        for (i = 0; i < count; i++) nrxi_ct_fbp_load(p, row + i, z + i * n);
        nrxi_ct_transform(n, z, z + n, p->turn, p->turn + n, 0);
        for (k = 0; k < n; k++) {
            z[k] *= p->gain[k];
            z[n + k] *= p->gain[k];
        }
        nrxi_ct_transform(n, z, z + n, p->turn, p->turn + n, 1);
        for (i = 0; i < count; i++) {
            double after = p->factor * p->bp[(row + i) / p->bin_rows].weight;
            size_t at = (row + i) * (p->total + 2 * NRXI_CT_PAD) + NRXI_CT_PAD;
            for (k = 0; k < p->total; k++) nrxi_ct_set(p->q, p->g->dtype, at + k, z[i * n + k] * after);
        }
    }
}

/* -- back projection driven by pixels: linear interpolation of the filtered view where the pixel's ray meets the detector -- */

/* One row of pixels in one view: position (a + b c) / (u + v c), weight 1 / (u + v c)^2 for rays from a point. */
typedef struct nrxi_ct_bp_row { double a, b, u, v, mid, inv_d_gamma, tan_per_bin, h2; } nrxi_ct_bp_row;

#define NRXI_CT_BP_COLS 512
#define NRXI_CT_BP_ROWS 8

/* >>> twin f64 */
NRXI_FN double nrxi_ct_bp_place_f64(const nrxi_ct_bp_row *r, int mode, double c, double *weight)
{
    double num = (double)r->a + (double)r->b * c, inv;
    if (mode == 0) { *weight = (double)1; return num; }
    inv = (double)1 / ((double)r->u + (double)r->v * c);
    if (mode == 1) { *weight = inv * inv; return num * inv; }
    num = num * inv; /* tangent of the fan angle times sdd / pitch */
    inv = inv / sqrt((double)1 + num * num * (double)r->h2);
    num = (double)(nrxi_ct_wide_atan((nrxi_ct_wide)num * r->tan_per_bin) * r->inv_d_gamma + r->mid);
    *weight = inv * inv;
    return num;
}

/* Columns c0 .. c1-1 whose position lies in (lo, hi), where positions are monotone in c; only the ends are looked at. */
NRXI_FN void nrxi_ct_bp_range_f64(const nrxi_ct_bp_row *r, int mode, double lo, double hi, size_t *c0, size_t *c1)
{
    size_t a = *c0, b = *c1, m;
    double w, first, last;
    if (a >= b) return;
    first = nrxi_ct_bp_place_f64(r, mode, (double)a, &w);
    last = nrxi_ct_bp_place_f64(r, mode, (double)(b - 1), &w);
    {
        int up = last >= first;
        size_t l = a, h = b;
        while (l < h) { /* first column inside */
            double v;
            m = l + (h - l) / 2;
            v = nrxi_ct_bp_place_f64(r, mode, (double)m, &w);
            if (up ? v > lo : v < hi) h = m; else l = m + 1;
        }
        *c0 = l;
        h = b;
        while (l < h) {
            double v;
            m = l + (h - l) / 2;
            v = nrxi_ct_bp_place_f64(r, mode, (double)m, &w);
            if (up ? v < hi : v > lo) l = m + 1; else h = m;
        }
        *c1 = l;
    }
}

NRXI_FN void nrxi_ct_bp_plain_f64(const nrxi_ct_bp_row *r, int mode, size_t c0, size_t c1, const double *q, double *acc)
{
    size_t c;
    for (c = c0; c < c1; c++) {
        double w, k = nrxi_ct_bp_place_f64(r, mode, (double)c, &w);
        int i = (int)k;
        k -= (double)i;
        acc[c] += w * (q[i] + k * (q[i + 1] - q[i]));
    }
}
/* === twin f32 */
NRXI_FN float nrxi_ct_bp_place_f32(const nrxi_ct_bp_row *r, int mode, float c, float *weight)
{
    float num = (float)r->a + (float)r->b * c, inv;
    if (mode == 0) { *weight = (float)1; return num; }
    inv = (float)1 / ((float)r->u + (float)r->v * c);
    if (mode == 1) { *weight = inv * inv; return num * inv; }
    num = num * inv; /* tangent of the fan angle times sdd / pitch */
    inv = inv / sqrtf((float)1 + num * num * (float)r->h2);
    num = (float)(nrxi_ct_wide_atan((nrxi_ct_wide)num * r->tan_per_bin) * r->inv_d_gamma + r->mid);
    *weight = inv * inv;
    return num;
}

/* Columns c0 .. c1-1 whose position lies in (lo, hi), where positions are monotone in c; only the ends are looked at. */
NRXI_FN void nrxi_ct_bp_range_f32(const nrxi_ct_bp_row *r, int mode, float lo, float hi, size_t *c0, size_t *c1)
{
    size_t a = *c0, b = *c1, m;
    float w, first, last;
    if (a >= b) return;
    first = nrxi_ct_bp_place_f32(r, mode, (float)a, &w);
    last = nrxi_ct_bp_place_f32(r, mode, (float)(b - 1), &w);
    {
        int up = last >= first;
        size_t l = a, h = b;
        while (l < h) { /* first column inside */
            float v;
            m = l + (h - l) / 2;
            v = nrxi_ct_bp_place_f32(r, mode, (float)m, &w);
            if (up ? v > lo : v < hi) h = m; else l = m + 1;
        }
        *c0 = l;
        h = b;
        while (l < h) {
            float v;
            m = l + (h - l) / 2;
            v = nrxi_ct_bp_place_f32(r, mode, (float)m, &w);
            if (up ? v < hi : v > lo) l = m + 1; else h = m;
        }
        *c1 = l;
    }
}

NRXI_FN void nrxi_ct_bp_plain_f32(const nrxi_ct_bp_row *r, int mode, size_t c0, size_t c1, const float *q, float *acc)
{
    size_t c;
    for (c = c0; c < c1; c++) {
        float w, k = nrxi_ct_bp_place_f32(r, mode, (float)c, &w);
        int i = (int)k;
        k -= (float)i;
        acc[c] += w * (q[i] + k * (q[i + 1] - q[i]));
    }
}
/* <<< twin */

#if defined(NRXI_X86)
NRXI_AVX2 NRXI_FN void nrxi_ct_bp_avx2(const nrxi_ct_bp_row *r, int mode, size_t c0, size_t c1, const float *q, float *acc)
{
    const float af = (float)r->a, bf = (float)r->b, uf = (float)r->u, vf = (float)r->v;
    nrxi_f32x8 a = NRXI_CT_SPLAT(af), b = NRXI_CT_SPLAT(bf), u = NRXI_CT_SPLAT(uf), v = NRXI_CT_SPLAT(vf), one = NRXI_CT_SPLAT(1.0f);
    nrxi_f32x8 step = {0, 1, 2, 3, 4, 5, 6, 7};
    size_t c = c0;
    int first = r->b * r->u - r->a * r->v < 0 ? 7 : 0; /* the pixel that meets the lowest bin */
    for (; c + 8 <= c1; c += 8) {
        const float cf = (float)c;
        nrxi_f32x8 x = NRXI_CT_SPLAT(cf), k, f, lo, hi, w = one;
        nrxi_i32x8 i, sel;
        const float *p;
        x += step;
        k = a + b * x;
        if (mode) {
            w = one / (u + v * x);
            k *= w;
            w *= w;
        }
        i = __builtin_convertvector(k, nrxi_i32x8);
        f = k - __builtin_convertvector(i, nrxi_f32x8);
        p = q + i[first];
        i -= i[first];
        sel = i << 28;
        lo = NRXI_CT_PICK16(p, i, sel);
        hi = NRXI_CT_PICK16(p + 1, i, sel);
        *(nrxi_f32x8u *)(acc + c) += w * (lo + f * (hi - lo));
    }
    nrxi_ct_bp_plain_f32(r, mode, c, c1, q, acc);
}
#endif

NRXI_FN void nrxi_ct_bp_run_f64(const nrxi_ct_bp_row *r, int mode, size_t c0, size_t c1, const double *q, double *acc)
{
    nrxi_ct_bp_plain_f64(r, mode, c0, c1, q, acc);
}
NRXI_FN void nrxi_ct_bp_run_f32(const nrxi_ct_bp_row *r, int mode, size_t c0, size_t c1, const float *q, float *acc)
{
#if defined(NRXI_X86)
    if (mode < 2 && c1 > c0 && nrxi_cpu_avx2()) { /* bins per pixel at both ends: 8 pixels must fall into 15 bins */
        double d0 = r->u + r->v * (double)c0, d1 = r->u + r->v * (double)c1, d = d0 < d1 ? d0 : d1;
        if (fabs(r->b * r->u - r->a * r->v) < 1.9 * d * d) { nrxi_ct_bp_avx2(r, mode, c0, c1, q, acc); return; }
    }
#endif
    nrxi_ct_bp_plain_f32(r, mode, c0, c1, q, acc);
}

/* >>> twin f64 */
NRXI_FN void nrxi_ct_bp_job_f64(void *arg, size_t job)
{
    const nrxi_ct_fbp *p = (const nrxi_ct_fbp *)arg;
    const nrx_ct_geometry *g = p->g;
    int mode = g->kind == NRX_CT_FAN_CURVED ? 2 : nrxi_ct_divergent(g);
    size_t row0 = job * NRXI_CT_BP_ROWS, row1 = row0 + NRXI_CT_BP_ROWS < g->rows ? row0 + NRXI_CT_BP_ROWS : g->rows;
    size_t col0, row, view, view0, stride = p->total + 2 * NRXI_CT_PAD, c;
    double *out = (double *)p->out;
    double acc[NRXI_CT_BP_ROWS * NRXI_CT_BP_COLS];
    nrxi_ct_wide shift = (nrxi_ct_wide)(NRXI_CT_PAD + p->before);
    for (row = row0; row < row1; row++) for (c = 0; c < g->cols; c++) out[row * g->cols + c] = 0;
    for (col0 = 0; col0 < g->cols; col0 += NRXI_CT_BP_COLS)
        for (view0 = 0; view0 < g->views; view0 += 128) {
            size_t n = g->cols - col0 < NRXI_CT_BP_COLS ? g->cols - col0 : NRXI_CT_BP_COLS;
            for (c = 0; c < NRXI_CT_BP_ROWS * NRXI_CT_BP_COLS; c++) acc[c] = 0;
            for (view = view0; view < g->views && view < view0 + 128; view++) {
                const nrxi_ct_bp *b = p->bp + view;
                const double *q = (const double *)p->q + view * stride;
                nrxi_ct_wide x0 = p->grid.x0 + (nrxi_ct_wide)col0 * p->grid.hx;
                for (row = row0; row < row1; row++) {
                    nrxi_ct_wide y = p->grid.y0 - (nrxi_ct_wide)row * p->grid.hy;
                    nrxi_ct_bp_row r;
                    size_t c0 = 0, c1 = n;
                    r.u = b->m0 + b->mx * x0 + b->my * y;
                    r.v = b->mx * p->grid.hx;
                    r.a = b->n0 + b->nx * x0 + b->ny * y;
                    r.b = b->nx * p->grid.hx;
                    if (mode == 2) {
                        r.mid = 0.5 * ((nrxi_ct_wide)g->bins - 1) - g->offset / g->pitch + shift;
                        r.tan_per_bin = g->pitch / g->sdd;
                        r.inv_d_gamma = g->sdd / g->pitch;
                        r.h2 = r.tan_per_bin * r.tan_per_bin;
                    } else {
                        r.a += shift * r.u;
                        r.b += shift * r.v;
                    }
                    if (mode) { /* pixels behind the source have no place on the detector */
                        while (c0 < c1 && !(r.u + r.v * (nrxi_ct_wide)c0 > 1e-6)) c0++;
                        while (c1 > c0 && !(r.u + r.v * (nrxi_ct_wide)(c1 - 1) > 1e-6)) c1--;
                    }
                    nrxi_ct_bp_range_f64(&r, mode, (double)(NRXI_CT_PAD - 1), (double)(p->total + NRXI_CT_PAD), &c0, &c1);
                    nrxi_ct_bp_run_f64(&r, mode, c0, c1, q, acc + (row - row0) * NRXI_CT_BP_COLS);
                }
            }
            for (row = row0; row < row1; row++)
                for (c = 0; c < n; c++) out[row * g->cols + col0 + c] += acc[(row - row0) * NRXI_CT_BP_COLS + c];
        }
}
/* === twin f32 */
NRXI_FN void nrxi_ct_bp_job_f32(void *arg, size_t job)
{
    const nrxi_ct_fbp *p = (const nrxi_ct_fbp *)arg;
    const nrx_ct_geometry *g = p->g;
    int mode = g->kind == NRX_CT_FAN_CURVED ? 2 : nrxi_ct_divergent(g);
    size_t row0 = job * NRXI_CT_BP_ROWS, row1 = row0 + NRXI_CT_BP_ROWS < g->rows ? row0 + NRXI_CT_BP_ROWS : g->rows;
    size_t col0, row, view, view0, stride = p->total + 2 * NRXI_CT_PAD, c;
    float *out = (float *)p->out;
    float acc[NRXI_CT_BP_ROWS * NRXI_CT_BP_COLS];
    nrxi_ct_wide shift = (nrxi_ct_wide)(NRXI_CT_PAD + p->before);
    for (row = row0; row < row1; row++) for (c = 0; c < g->cols; c++) out[row * g->cols + c] = 0;
    for (col0 = 0; col0 < g->cols; col0 += NRXI_CT_BP_COLS)
        for (view0 = 0; view0 < g->views; view0 += 128) {
            size_t n = g->cols - col0 < NRXI_CT_BP_COLS ? g->cols - col0 : NRXI_CT_BP_COLS;
            for (c = 0; c < NRXI_CT_BP_ROWS * NRXI_CT_BP_COLS; c++) acc[c] = 0;
            for (view = view0; view < g->views && view < view0 + 128; view++) {
                const nrxi_ct_bp *b = p->bp + view;
                const float *q = (const float *)p->q + view * stride;
                nrxi_ct_wide x0 = p->grid.x0 + (nrxi_ct_wide)col0 * p->grid.hx;
                for (row = row0; row < row1; row++) {
                    nrxi_ct_wide y = p->grid.y0 - (nrxi_ct_wide)row * p->grid.hy;
                    nrxi_ct_bp_row r;
                    size_t c0 = 0, c1 = n;
                    r.u = b->m0 + b->mx * x0 + b->my * y;
                    r.v = b->mx * p->grid.hx;
                    r.a = b->n0 + b->nx * x0 + b->ny * y;
                    r.b = b->nx * p->grid.hx;
                    if (mode == 2) {
                        r.mid = 0.5 * ((nrxi_ct_wide)g->bins - 1) - g->offset / g->pitch + shift;
                        r.tan_per_bin = g->pitch / g->sdd;
                        r.inv_d_gamma = g->sdd / g->pitch;
                        r.h2 = r.tan_per_bin * r.tan_per_bin;
                    } else {
                        r.a += shift * r.u;
                        r.b += shift * r.v;
                    }
                    if (mode) { /* pixels behind the source have no place on the detector */
                        while (c0 < c1 && !(r.u + r.v * (nrxi_ct_wide)c0 > 1e-6)) c0++;
                        while (c1 > c0 && !(r.u + r.v * (nrxi_ct_wide)(c1 - 1) > 1e-6)) c1--;
                    }
                    nrxi_ct_bp_range_f32(&r, mode, (float)(NRXI_CT_PAD - 1), (float)(p->total + NRXI_CT_PAD), &c0, &c1);
                    nrxi_ct_bp_run_f32(&r, mode, c0, c1, q, acc + (row - row0) * NRXI_CT_BP_COLS);
                }
            }
            for (row = row0; row < row1; row++)
                for (c = 0; c < n; c++) out[row * g->cols + col0 + c] += acc[(row - row0) * NRXI_CT_BP_COLS + c];
        }
}
/* <<< twin */

/* -- cone beam: one row of every slice -- */

#define NRXI_CT_FDK_COLS 256

/* >>> twin f64 */
/* Places of a row of pixels in one view: bin i with fraction f, weight w, and how detector rows grow with z there. */
typedef struct nrxi_ct_fdk_row_f64 { int i[NRXI_CT_FDK_COLS]; double f[NRXI_CT_FDK_COLS], w[NRXI_CT_FDK_COLS], m[NRXI_CT_FDK_COLS]; } nrxi_ct_fdk_row_f64;

NRXI_FN void nrxi_ct_fdk_places_f64(const nrxi_ct_fbp *p, const nrxi_ct_bp *b, int divergent, nrxi_ct_wide far, size_t row, size_t col0, size_t n, nrxi_ct_fdk_row_f64 *r)
{
    nrxi_ct_wide y = p->grid.y0 - (nrxi_ct_wide)row * p->grid.hy;
    size_t c;
    for (c = 0; c < n; c++) {
        nrxi_ct_wide x = p->grid.x0 + (nrxi_ct_wide)(col0 + c) * p->grid.hx, depth = b->m0 + b->mx * x + b->my * y, k = b->n0 + b->nx * x + b->ny * y, w = 1, m = 1;
        r->i[c] = -1; /* not on the detector */
        if (divergent) {
            if (!(depth > 1e-6)) continue;
            k /= depth;
            m = far / depth;
            w = 1 / (depth * depth);
        }
        k += (nrxi_ct_wide)(NRXI_CT_PAD + p->before);
        if (!(k > NRXI_CT_PAD - 1 && k < (nrxi_ct_wide)(p->total + NRXI_CT_PAD))) continue;
        r->i[c] = (int)k;
        r->f[c] = (double)(k - (nrxi_ct_wide)r->i[c]);
        r->w[c] = (double)w;
        r->m[c] = (double)m;
    }
}

NRXI_FN void nrxi_ct_fdk_add_f64(const nrxi_ct_fbp *p, const nrxi_ct_fdk_row_f64 *r, size_t view, double base, double slope, double share, size_t n, double *out)
{
    size_t c, stride = p->total + 2 * NRXI_CT_PAD, rows = p->bin_rows;
    const double *q = (const double *)p->q + view * rows * stride;
    for (c = 0; c < n; c++) {
        double v = base + slope * r->m[c], e, lower = 0, upper = 0;
        int j;
        if (r->i[c] < 0 || !(v > (double)-1 && v < (double)rows)) continue;
        j = (int)(v + (double)1) - 1;
        e = v - (double)j;
        if (j >= 0) { const double *a = q + (size_t)j * stride + r->i[c]; lower = a[0] + r->f[c] * (a[1] - a[0]); }
        if (j + 1 < (int)rows) { const double *a = q + (size_t)(j + 1) * stride + r->i[c]; upper = a[0] + r->f[c] * (a[1] - a[0]); }
        out[c] += share * r->w[c] * (lower + e * (upper - lower));
    }
}

NRXI_FN void nrxi_ct_fdk_job_f64(void *arg, size_t row)
{
    const nrxi_ct_fbp *p = (const nrxi_ct_fbp *)arg;
    const nrx_ct_geometry *g = p->g;
    size_t slices = nrxi_ct_slices(g), z, view, col0, c;
    double *out = (double *)p->out;
    for (z = 0; z < slices; z++) for (c = 0; c < g->cols; c++) out[(z * g->rows + row) * g->cols + c] = 0;
    for (view = 0; view < g->views; view++) {
        nrxi_ct_frame f = nrxi_ct_frame_of(g, view);
        const nrxi_ct_bp *b = p->bp + view;
        nrxi_ct_wide far = b->m0 + b->mx * f.v.detector[0] + b->my * f.v.detector[1]; /* depth of the detector */
        for (col0 = 0; col0 < g->cols; col0 += NRXI_CT_FDK_COLS) {
            size_t n = g->cols - col0 < NRXI_CT_FDK_COLS ? g->cols - col0 : NRXI_CT_FDK_COLS;
            nrxi_ct_fdk_row_f64 r;
            nrxi_ct_fdk_places_f64(p, b, f.divergent, far, row, col0, n, &r);
            for (z = 0; z < slices; z++) {
                nrxi_ct_wide height = p->grid.z0 + (nrxi_ct_wide)z * p->grid.hz, origin = f.divergent ? f.v.source[2] : 0, share = 1;
                if (p->helix) { /* the turn around the slice; the views at its ends count half */
                    nrxi_ct_wide turns = nrxi_ct_wide_abs(height - origin) / nrxi_ct_wide_abs(g->helix_pitch);
                    share = turns < 0.5 - 1e-9 ? 1 : turns < 0.5 + 1e-9 ? 0.5 : 0;
                    if (share == 0) continue;
                }
                nrxi_ct_fdk_add_f64(p, &r, view, (double)(f.mid_v + (origin - f.v.detector[2]) / f.v.v[2]), (double)((height - origin) / f.v.v[2]),
                                    (double)share, n, out + (z * g->rows + row) * g->cols + col0);
            }
        }
    }
}
/* === twin f32 */
/* Places of a row of pixels in one view: bin i with fraction f, weight w, and how detector rows grow with z there. */
typedef struct nrxi_ct_fdk_row_f32 { int i[NRXI_CT_FDK_COLS]; float f[NRXI_CT_FDK_COLS], w[NRXI_CT_FDK_COLS], m[NRXI_CT_FDK_COLS]; } nrxi_ct_fdk_row_f32;

NRXI_FN void nrxi_ct_fdk_places_f32(const nrxi_ct_fbp *p, const nrxi_ct_bp *b, int divergent, nrxi_ct_wide far, size_t row, size_t col0, size_t n, nrxi_ct_fdk_row_f32 *r)
{
    nrxi_ct_wide y = p->grid.y0 - (nrxi_ct_wide)row * p->grid.hy;
    size_t c;
    for (c = 0; c < n; c++) {
        nrxi_ct_wide x = p->grid.x0 + (nrxi_ct_wide)(col0 + c) * p->grid.hx, depth = b->m0 + b->mx * x + b->my * y, k = b->n0 + b->nx * x + b->ny * y, w = 1, m = 1;
        r->i[c] = -1; /* not on the detector */
        if (divergent) {
            if (!(depth > 1e-6)) continue;
            k /= depth;
            m = far / depth;
            w = 1 / (depth * depth);
        }
        k += (nrxi_ct_wide)(NRXI_CT_PAD + p->before);
        if (!(k > NRXI_CT_PAD - 1 && k < (nrxi_ct_wide)(p->total + NRXI_CT_PAD))) continue;
        r->i[c] = (int)k;
        r->f[c] = (float)(k - (nrxi_ct_wide)r->i[c]);
        r->w[c] = (float)w;
        r->m[c] = (float)m;
    }
}

NRXI_FN void nrxi_ct_fdk_add_f32(const nrxi_ct_fbp *p, const nrxi_ct_fdk_row_f32 *r, size_t view, float base, float slope, float share, size_t n, float *out)
{
    size_t c, stride = p->total + 2 * NRXI_CT_PAD, rows = p->bin_rows;
    const float *q = (const float *)p->q + view * rows * stride;
    for (c = 0; c < n; c++) {
        float v = base + slope * r->m[c], e, lower = 0, upper = 0;
        int j;
        if (r->i[c] < 0 || !(v > (float)-1 && v < (float)rows)) continue;
        j = (int)(v + (float)1) - 1;
        e = v - (float)j;
        if (j >= 0) { const float *a = q + (size_t)j * stride + r->i[c]; lower = a[0] + r->f[c] * (a[1] - a[0]); }
        if (j + 1 < (int)rows) { const float *a = q + (size_t)(j + 1) * stride + r->i[c]; upper = a[0] + r->f[c] * (a[1] - a[0]); }
        out[c] += share * r->w[c] * (lower + e * (upper - lower));
    }
}

NRXI_FN void nrxi_ct_fdk_job_f32(void *arg, size_t row)
{
    const nrxi_ct_fbp *p = (const nrxi_ct_fbp *)arg;
    const nrx_ct_geometry *g = p->g;
    size_t slices = nrxi_ct_slices(g), z, view, col0, c;
    float *out = (float *)p->out;
    for (z = 0; z < slices; z++) for (c = 0; c < g->cols; c++) out[(z * g->rows + row) * g->cols + c] = 0;
    for (view = 0; view < g->views; view++) {
        nrxi_ct_frame f = nrxi_ct_frame_of(g, view);
        const nrxi_ct_bp *b = p->bp + view;
        nrxi_ct_wide far = b->m0 + b->mx * f.v.detector[0] + b->my * f.v.detector[1]; /* depth of the detector */
        for (col0 = 0; col0 < g->cols; col0 += NRXI_CT_FDK_COLS) {
            size_t n = g->cols - col0 < NRXI_CT_FDK_COLS ? g->cols - col0 : NRXI_CT_FDK_COLS;
            nrxi_ct_fdk_row_f32 r;
            nrxi_ct_fdk_places_f32(p, b, f.divergent, far, row, col0, n, &r);
            for (z = 0; z < slices; z++) {
                nrxi_ct_wide height = p->grid.z0 + (nrxi_ct_wide)z * p->grid.hz, origin = f.divergent ? f.v.source[2] : 0, share = 1;
                if (p->helix) { /* the turn around the slice; the views at its ends count half */
                    nrxi_ct_wide turns = nrxi_ct_wide_abs(height - origin) / nrxi_ct_wide_abs(g->helix_pitch);
                    share = turns < 0.5 - 1e-9 ? 1 : turns < 0.5 + 1e-9 ? 0.5 : 0;
                    if (share == 0) continue;
                }
                nrxi_ct_fdk_add_f32(p, &r, view, (float)(f.mid_v + (origin - f.v.detector[2]) / f.v.v[2]), (float)((height - origin) / f.v.v[2]),
                                    (float)share, n, out + (z * g->rows + row) * g->cols + col0);
            }
        }
    }
}
/* <<< twin */

/* Weights of the bins before filtering: dF/ds R^2 / (depth of the axis)^2 for rays from a point (see nrx_ct_fbp), and the cosine of the
   angle to the plane in a cone. */
NRXI_FN void nrxi_ct_fbp_cone(const nrx_ct_geometry *g, const nrxi_ct_frame *f, double *pre)
{
    size_t i, k;
    for (i = nrxi_ct_bin_rows(g); i-- > 0;)
        for (k = 0; k < g->bins; k++) {
            double p[3], d[3], flat;
            nrxi_ct_ray(f, (double)k, (double)i, p, d);
            flat = d[0] * d[0] + d[1] * d[1];
            pre[i * g->bins + k] = pre[k] * sqrt(flat / (flat + d[2] * d[2]));
        }
}

NRXI_FN void nrxi_ct_fbp_pre(const nrx_ct_geometry *g, const nrxi_ct_frame *f, double *pre)
{
    double o[2], p[3], d[3], depth, size = sqrt(f->v.u[0] * f->v.u[0] + f->v.u[1] * f->v.u[1]);
    size_t k;
    for (k = 0; k < g->bins; k++) pre[k] = 1;
    if (!f->divergent) return;
    o[0] = -f->v.source[0]; o[1] = -f->v.source[1];
    depth = nrxi_ct_cross(f->v.u, o);
    for (k = 0; k < g->bins; k++) {
        double r2, du;
        nrxi_ct_ray(f, (double)k, f->mid_v, p, d);
        if (f->curved) { pre[k] = d[0] * o[0] + d[1] * o[1]; continue; } /* d cross(d, o) / d gamma: SOD cos(gamma) when centred */
        r2 = d[0] * d[0] + d[1] * d[1]; /* F = cross(d, o) / R, and d grows by u per bin */
        du = d[0] * f->v.u[0] + d[1] * f->v.u[1];
        pre[k] = (depth / sqrt(r2) - nrxi_ct_cross(d, o) * du / (r2 * sqrt(r2))) * r2 / (depth * depth) * size;
    }
}

/* One-sided detectors (Wang 2002): rays measured from both sides share their weight smoothly, others count twice. The views are continued
   with zeros to the far side, where the filter still has something to say. */
NRXI_FN void nrxi_ct_fbp_half(nrxi_ct_fbp *p, const nrxi_ct_frame *f)
{
    const nrx_ct_geometry *g = p->g;
    double lo = nrxi_ct_across(f, -0.5), hi = nrxi_ct_across(f, (double)g->bins - 0.5), narrow, wide, axis, missing;
    double sign = hi > lo ? 1 : -1; /* sense in which the bins run */
    size_t k;
    lo *= sign;
    hi *= sign;
    narrow = -lo < hi ? -lo : hi;
    wide = -lo < hi ? hi : -lo;
    if (!p->cover.full || p->d.half_detector < 0 || narrow <= 0 || (p->d.half_detector == 0 && narrow >= 0.9 * wide)) return;
    for (k = 0; k < g->bins; k++) {
        double s = sign * nrxi_ct_across(f, (double)k) * (-lo > hi ? -1 : 1);
        p->pre[k] *= s < -narrow ? 0 : s > narrow ? 2 : 1 + sin(0.5 * NRX_PI * s / narrow);
    }
    axis = p->bp[0].n0;
    if (f->curved) axis = 0.5 * ((double)g->bins - 1) + (atan(axis * g->pitch / g->sdd) * g->sdd - g->offset) / g->pitch;
    missing = floor(fabs((double)g->bins - 1 - 2 * axis)) + 1;
    if (!(missing < 8 * (double)g->bins)) missing = 8 * (double)g->bins;
    if (axis < 0.5 * ((double)g->bins - 1)) p->before = (size_t)missing;
    p->total = g->bins + (size_t)missing;
}

NRXI_FN nrx_status nrxi_ct_fbp_check(const nrx_ct_geometry *g, const void *sino, const void *image, const nrx_ct_fbp_desc *d, const char *who)
{
    nrx_status status = nrxi_ct_check(g, who);
    if (status != NRX_OK) return status;
    if (!sino || !image || sino == image) return nrxi_fail(&g->env, NRX_E_ARG, "%s: sinogram and image must be two arrays, not NULL", who);
    if (d->window < NRX_CT_RAM_LAK || d->window > NRX_CT_HANN) return nrxi_fail(&g->env, NRX_E_ARG, "%s: window %d is unknown", who, d->window);
    if (!(d->cutoff > 0 && d->cutoff <= 1)) return nrxi_fail(&g->env, NRX_E_ARG, "%s: cutoff %g, expected 0 < cutoff <= 1", who, d->cutoff);
    if (d->extend > 16 * g->bins) return nrxi_fail(&g->env, NRX_E_ARG, "%s: extend %zu with %zu bins", who, d->extend, g->bins);
    if (!nrxi_all_finite(sino, nrx_ct_sino_size(g), g->dtype)) return nrxi_fail(&g->env, NRX_E_NUMERIC, "%s: the sinogram holds a NaN or an infinity", who);
    return NRX_OK;
}

/* Helix: views are told apart by their turn, each counts for half the way to the views before and after it. */
NRXI_FN nrxi_ct_cover nrxi_ct_helix_weights(const nrx_ct_geometry *g, nrxi_ct_bp *bp)
{
    nrxi_ct_cover c;
    size_t i, n = g->views;
    for (i = 0; i < n; i++) {
        double before = i > 0 ? fabs(nrx_ct_angle(g, i) - nrx_ct_angle(g, i - 1)) : 0, after = i + 1 < n ? fabs(nrx_ct_angle(g, i + 1) - nrx_ct_angle(g, i)) : before;
        bp[i].weight = 0.5 * (i > 0 ? before + after : 2 * after);
    }
    c.first = 0;
    c.range = 2 * NRX_PI;
    c.full = 1;
    return c;
}

/* What the views cover, their weights, short-scan and one-sided weights. */
NRXI_FN void nrxi_ct_fbp_weights(nrxi_ct_fbp *p, nrxi_ct_sorted *order)
{
    const nrx_ct_geometry *g = p->g;
    nrxi_ct_frame f = nrxi_ct_frame_of(g, 0);
    size_t i;
    for (i = 0; i < g->views; i++) {
        nrxi_ct_frame fi = nrxi_ct_frame_of(g, i);
        p->bp[i] = nrxi_ct_bp_of(&fi, g->pitch);
    }
    p->helix = g->helix_pitch != 0 && !nrxi_ct_by_vectors(g);
    p->cover = p->helix ? nrxi_ct_helix_weights(g, p->bp) : nrxi_ct_view_weights(p->bp, g->views, 2 * NRX_PI, order);
    if (!f.divergent && !p->cover.full) nrxi_ct_view_weights(p->bp, g->views, NRX_PI, order);
    p->factor = p->cover.full ? 0.5 : 1;
    if (f.divergent && (p->d.short_scan > 0 || (p->d.short_scan == 0 && !p->cover.full))) {
        double lo = fabs(nrxi_ct_across(&f, -0.5)), hi = fabs(nrxi_ct_across(&f, (double)g->bins - 0.5)), gm = lo > hi ? lo : hi;
        p->parker_gm = 0.5 * (p->cover.range - NRX_PI);
        p->parker = p->parker_gm > 0.98 * gm; /* less than a short scan: what is there counts once */
        p->factor = 1;
        if (p->parker_gm < gm) p->parker_gm = gm;
    }
    nrxi_ct_fbp_pre(g, &f, p->pre);
    p->before = 0;
    p->total = g->bins;
    nrxi_ct_fbp_half(p, &f);
    if (p->bin_rows > 1) nrxi_ct_fbp_cone(g, &f, p->pre);
}

/* Allocates what depends on the length of a filtered view. */
NRXI_FN nrx_status nrxi_ct_fbp_plan(nrxi_ct_fbp *p)
{
    const nrx_ct_geometry *g = p->g;
    size_t rows = g->views * p->bin_rows, elements, doubles;
    for (p->n = 64; p->n < 2 * (p->total + p->d.extend); p->n *= 2) { }
    p->jobs = rows < 16 ? rows : 16;
    if (!nrxi_mul_ok(rows, p->total + 2 * NRXI_CT_PAD, &elements) || !nrxi_mul_ok(p->jobs, 2 * p->n, &doubles)) return NRX_E_NOMEM;
    p->q = nrxi_calloc(&g->env, elements + NRXI_CT_SLACK, nrxi_dtype_size(g->dtype));
    p->gain = (double *)nrxi_alloc(&g->env, p->n, 3 * sizeof *p->gain);
    p->turn = p->gain ? p->gain + p->n : NULL;
    p->work = (double *)nrxi_alloc(&g->env, doubles, sizeof *p->work);
    return p->q && p->gain && p->work ? NRX_OK : NRX_E_NOMEM;
}

NRXI_FN void nrxi_ct_fbp_run(nrxi_ct_fbp *p)
{
    const nrx_ct_geometry *g = p->g;
    nrxi_ct_frame f = nrxi_ct_frame_of(g, 0);
    double pitch = sqrt(f.v.u[0] * f.v.u[0] + f.v.u[1] * f.v.u[1]), d_gamma = 0;
    if (!f.divergent) /* across the rays, should the detector be tilted */
        pitch = fabs(nrxi_ct_cross(f.v.u, f.v.source)) / sqrt(f.v.source[0] * f.v.source[0] + f.v.source[1] * f.v.source[1]);
    if (f.curved) { d_gamma = pitch = g->pitch / g->sdd; p->factor /= g->sod * g->sod; }
    nrxi_ct_ramp(p->n, p->total, pitch, d_gamma, p->d.window, p->d.cutoff, p->turn, p->gain, p->work);
    nrxi_parallel(&g->env, p->jobs, nrxi_ct_fbp_filter, p);
    if (nrxi_ct_is_3d(g)) nrxi_parallel(&g->env, g->rows, g->dtype == NRX_F64 ? nrxi_ct_fdk_job_f64 : nrxi_ct_fdk_job_f32, p);
    else nrxi_parallel(&g->env, (g->rows + NRXI_CT_BP_ROWS - 1) / NRXI_CT_BP_ROWS, g->dtype == NRX_F64 ? nrxi_ct_bp_job_f64 : nrxi_ct_bp_job_f32, p);
    nrxi_ct_apply_mask(g, p->out);
}

NRXI_FN nrx_status nrxi_ct_fbp_call(const nrx_ct_geometry *g, const void *sino, void *image, const nrx_ct_fbp_desc *desc, const char *who)
{
    nrxi_ct_fbp p;
    nrxi_ct_sorted *order;
    nrx_status status;
    memset(&p, 0, sizeof p);
    if (desc) p.d = *desc;
    if (p.d.cutoff == 0) p.d.cutoff = 1;
    if ((status = nrxi_ct_fbp_check(g, sino, image, &p.d, who)) != NRX_OK) return status;
    p.g = g;
    p.grid = nrxi_ct_grid_of(g);
    p.in = sino;
    p.out = image;
    p.bin_rows = nrxi_ct_bin_rows(g);
    p.bp = (nrxi_ct_bp *)nrxi_alloc(&g->env, g->views, sizeof *p.bp);
    p.pre = (double *)nrxi_alloc(&g->env, g->bins * p.bin_rows, sizeof *p.pre);
    order = (nrxi_ct_sorted *)nrxi_alloc(&g->env, g->views, sizeof *order);
    status = NRX_E_NOMEM;
    if (p.bp && p.pre && order) {
        nrxi_ct_fbp_weights(&p, order);
        status = nrxi_ct_fbp_plan(&p);
        if (status == NRX_OK) nrxi_ct_fbp_run(&p);
    }
    nrxi_free(&g->env, order);
    nrxi_free(&g->env, p.bp);
    nrxi_free(&g->env, p.pre);
    nrxi_free(&g->env, p.q);
    nrxi_free(&g->env, p.gain);
    nrxi_free(&g->env, p.work);
    return status == NRX_OK ? status : nrxi_fail(&g->env, status, "%s: no memory for the filtered projections (%zu elements)", who, nrx_ct_sino_size(g));
}

NRX_DEF nrx_status nrx_ct_fbp(const nrx_ct_geometry *g, const void *sino, void *image, const nrx_ct_fbp_desc *desc)
{
    if (g && nrxi_ct_is_3d(g))
        return nrxi_fail(&g->env, NRX_E_UNSUPPORTED, "nrx_ct_fbp: the geometry has %zu slices and %zu bin rows; use nrx_ct_fdk", nrxi_ct_slices(g),
                         nrxi_ct_bin_rows(g));
    return nrxi_ct_fbp_call(g, sino, image, desc, "nrx_ct_fbp");
}

NRX_DEF nrx_status nrx_ct_fdk(const nrx_ct_geometry *g, const void *projections, void *volume, const nrx_ct_fbp_desc *desc)
{
    size_t i;
    nrx_status status = nrxi_ct_check(g, "nrx_ct_fdk");
    if (status != NRX_OK) return status;
    for (i = 0; i < g->views; i++) { /* rows of bins must lie in planes z = const, rays of parallel beams too */
        nrxi_ct_frame f = nrxi_ct_frame_of(g, i);
        if (!nrxi_ct_upright(&f))
            return nrxi_fail(&g->env, NRX_E_UNSUPPORTED, "nrx_ct_fdk: the detector of view %zu is rolled or inclined; use an iterative method", i);
    }
    return nrxi_ct_fbp_call(g, projections, volume, desc, "nrx_ct_fdk");
}

/* ==== iterative reconstruction ==== */

NRXI_FN nrx_status nrxi_ct_check_solver(const nrx_ct_geometry *g, const void *sino, const void *image, const nrx_ct_solver *d, const char *who)
{
    nrx_status status = nrxi_ct_check(g, who);
    size_t n = nrx_ct_sino_size(g), i;
    if (status != NRX_OK) return status;
    if (!sino || !image || sino == image) return nrxi_fail(&g->env, NRX_E_ARG, "%s: sinogram and image must be two arrays, not NULL", who);
    if (d->iterations < 0) return nrxi_fail(&g->env, NRX_E_ARG, "%s: %d iterations", who, d->iterations);
    if (!(d->lambda >= 0) || !nrxi_finite_f64(&d->lambda)) return nrxi_fail(&g->env, NRX_E_ARG, "%s: lambda %g, expected >= 0", who, d->lambda);
    if (!(d->tolerance >= 0) || !(d->relaxation >= 0)) return nrxi_fail(&g->env, NRX_E_ARG, "%s: tolerance %g, relaxation %g", who, d->tolerance, d->relaxation);
    if (d->box & ~NRX_CT_BOX) return nrxi_fail(&g->env, NRX_E_ARG, "%s: box %d", who, d->box);
    if ((d->box & NRX_CT_LOWER && !nrxi_finite_f64(&d->lower)) || (d->box & NRX_CT_UPPER && !nrxi_finite_f64(&d->upper))
        || (d->box == NRX_CT_BOX && !(d->lower <= d->upper)))
        return nrxi_fail(&g->env, NRX_E_ARG, "%s: box from %g to %g", who, d->lower, d->upper);
    if (!nrxi_all_finite(sino, n, g->dtype)) return nrxi_fail(&g->env, NRX_E_NUMERIC, "%s: the sinogram holds a NaN or an infinity", who);
    if (d->warm_start && !nrxi_all_finite(image, nrx_ct_image_size(g), g->dtype))
        return nrxi_fail(&g->env, NRX_E_NUMERIC, "%s: the first iterate holds a NaN or an infinity", who);
    if (d->weights)
        for (i = 0; i < n; i++) {
            double w = nrxi_ct_get(d->weights, g->dtype, i);
            if (!(w >= 0) || !nrxi_finite_f64(&w)) return nrxi_fail(&g->env, NRX_E_ARG, "%s: weight %zu is %g, expected >= 0", who, i, w);
        }
    return NRX_OK;
}

NRXI_FN double nrxi_ct_clip(const nrx_ct_solver *d, double v)
{
    if (d->box & NRX_CT_LOWER && v < d->lower) return d->lower;
    if (d->box & NRX_CT_UPPER && v > d->upper) return d->upper;
    return v;
}

/* Vectors a solver works with: one block of memory for all of them. */
typedef struct nrxi_ct_vectors { unsigned char *block; size_t bytes; int dtype; } nrxi_ct_vectors;

NRXI_FN void *nrxi_ct_take(nrxi_ct_vectors *v, size_t n)
{
    void *p = v->block;
    v->block += (n * nrxi_dtype_size(v->dtype) + 63u) & ~(size_t)63u;
    return p;
}

/* Room for `images` image-sized and `sinos` sinogram-sized vectors and the projector's workspace, all zero; NULL on failure. */
NRXI_FN void *nrxi_ct_vectors_new(const nrx_ct_geometry *g, size_t images, size_t sinos, nrxi_ct_vectors *v)
{
    size_t e = nrxi_dtype_size(g->dtype), a, b, c;
    v->dtype = g->dtype;
    if (!nrxi_mul_ok(nrx_ct_image_size(g) * e + 64, images, &a) || !nrxi_mul_ok(nrx_ct_sino_size(g) * e + 64, sinos, &b)
        || !nrxi_add_ok(a, b, &a) || !nrxi_mul_ok(nrxi_ct_work(g), e, &c) || !nrxi_add_ok(a, c + 64, &a)) return NULL;
    v->block = (unsigned char *)nrxi_calloc(&g->env, a, 1);
    return v->block;
}

NRXI_FN void nrxi_ct_remember(nrx_ct_info *info, int iteration, double value)
{
    if (info && info->history && (size_t)iteration < info->history_size) info->history[iteration] = value;
}

/* Sizes of the difference grid; slices 1 in two dimensions. */
typedef struct nrxi_ct_box { size_t rows, cols, slices, n; int dims; } nrxi_ct_box;

NRXI_FN nrxi_ct_box nrxi_ct_box_of(const nrx_ct_geometry *g)
{
    nrxi_ct_box b;
    b.rows = g->rows;
    b.cols = g->cols;
    b.slices = nrxi_ct_slices(g);
    b.n = b.rows * b.cols * b.slices;
    b.dims = b.slices > 1 ? 3 : 2;
    return b;
}

/* >>> twin f64 */
/* Forward differences of x at pixel i = (z, r, c) in order x, y, z; zero across the border. */
NRXI_FN void nrxi_ct_differences_f64(const nrxi_ct_box *b, const double *x, size_t i, size_t z, size_t r, size_t c, double d[3])
{
    d[0] = c + 1 < b->cols ? x[i + 1] - x[i] : (double)0;
    d[1] = r + 1 < b->rows ? x[i + b->cols] - x[i] : (double)0;
    d[2] = z + 1 < b->slices ? x[i + b->rows * b->cols] - x[i] : (double)0;
}

/* out = transpose of the differences applied to q[dims][n]. */
NRXI_FN void nrxi_ct_differences_t_f64(const nrxi_ct_box *b, const double *q, double *out)
{
    size_t z, r, c, i = 0, plane = b->rows * b->cols, n = b->n;
    for (z = 0; z < b->slices; z++)
        for (r = 0; r < b->rows; r++)
            for (c = 0; c < b->cols; c++, i++) {
                double v = 0;
                if (c + 1 < b->cols) v -= q[i];
                if (c > 0) v += q[i - 1];
                if (r + 1 < b->rows) v -= q[n + i];
                if (r > 0) v += q[n + i - b->cols];
                if (b->dims == 3) {
                    if (z + 1 < b->slices) v -= q[2 * n + i];
                    if (z > 0) v += q[2 * n + i - plane];
                }
                out[i] = v;
            }
}

/* q += step * differences of x (of 2 x - x_old if x_old is given), then |q_i| <= radius. */
NRXI_FN void nrxi_ct_dual_step_f64(const nrxi_ct_box *b, const double *x, const double *x_old, double step, double radius, double *q)
{
    size_t z, r, c, i = 0, n = b->n;
    int k;
    for (z = 0; z < b->slices; z++)
        for (r = 0; r < b->rows; r++)
            for (c = 0; c < b->cols; c++, i++) {
                double d[3], e[3], norm = 0;
                nrxi_ct_differences_f64(b, x, i, z, r, c, d);
                if (x_old) {
                    nrxi_ct_differences_f64(b, x_old, i, z, r, c, e);
                    for (k = 0; k < b->dims; k++) d[k] = 2 * d[k] - e[k];
                }
                for (k = 0; k < b->dims; k++) {
                    d[k] = q[(size_t)k * n + i] + step * d[k];
                    norm += d[k] * d[k];
                }
                norm = norm > radius * radius ? radius / sqrt(norm) : (double)1;
                for (k = 0; k < b->dims; k++) q[(size_t)k * n + i] = d[k] * norm;
            }
}

/* Sum of sqrt(|differences|^2 + epsilon^2) - epsilon, and its gradient when grad is not NULL. */
NRXI_FN nrxi_ct_wide nrxi_ct_tv_value_f64(const nrxi_ct_box *b, const double *x, nrxi_ct_wide epsilon, double *grad)
{
    size_t z, r, c, i = 0, plane = b->rows * b->cols;
    nrxi_ct_wide total = 0;
    if (grad) memset(grad, 0, b->n * sizeof *grad);
    for (z = 0; z < b->slices; z++)
        for (r = 0; r < b->rows; r++) {
            nrxi_ct_wide part = 0;
            for (c = 0; c < b->cols; c++, i++) {
                double d[3];
                nrxi_ct_wide s;
                nrxi_ct_differences_f64(b, x, i, z, r, c, d);
                s = nrxi_ct_wide_root((nrxi_ct_wide)d[0] * d[0] + (nrxi_ct_wide)d[1] * d[1] + (nrxi_ct_wide)d[2] * d[2] + epsilon * epsilon);
                part += s - epsilon;
                if (!grad || s == 0) continue;
                grad[i] -= (double)((d[0] + d[1] + d[2]) / s);
                if (c + 1 < b->cols) grad[i + 1] += (double)(d[0] / s);
                if (r + 1 < b->rows) grad[i + b->cols] += (double)(d[1] / s);
                if (z + 1 < b->slices) grad[i + plane] += (double)(d[2] / s);
            }
            total += part;
        }
    return total;
}
/* === twin f32 */
/* Forward differences of x at pixel i = (z, r, c) in order x, y, z; zero across the border. */
NRXI_FN void nrxi_ct_differences_f32(const nrxi_ct_box *b, const float *x, size_t i, size_t z, size_t r, size_t c, float d[3])
{
    d[0] = c + 1 < b->cols ? x[i + 1] - x[i] : (float)0;
    d[1] = r + 1 < b->rows ? x[i + b->cols] - x[i] : (float)0;
    d[2] = z + 1 < b->slices ? x[i + b->rows * b->cols] - x[i] : (float)0;
}

/* out = transpose of the differences applied to q[dims][n]. */
NRXI_FN void nrxi_ct_differences_t_f32(const nrxi_ct_box *b, const float *q, float *out)
{
    size_t z, r, c, i = 0, plane = b->rows * b->cols, n = b->n;
    for (z = 0; z < b->slices; z++)
        for (r = 0; r < b->rows; r++)
            for (c = 0; c < b->cols; c++, i++) {
                float v = 0;
                if (c + 1 < b->cols) v -= q[i];
                if (c > 0) v += q[i - 1];
                if (r + 1 < b->rows) v -= q[n + i];
                if (r > 0) v += q[n + i - b->cols];
                if (b->dims == 3) {
                    if (z + 1 < b->slices) v -= q[2 * n + i];
                    if (z > 0) v += q[2 * n + i - plane];
                }
                out[i] = v;
            }
}

/* q += step * differences of x (of 2 x - x_old if x_old is given), then |q_i| <= radius. */
NRXI_FN void nrxi_ct_dual_step_f32(const nrxi_ct_box *b, const float *x, const float *x_old, float step, float radius, float *q)
{
    size_t z, r, c, i = 0, n = b->n;
    int k;
    for (z = 0; z < b->slices; z++)
        for (r = 0; r < b->rows; r++)
            for (c = 0; c < b->cols; c++, i++) {
                float d[3], e[3], norm = 0;
                nrxi_ct_differences_f32(b, x, i, z, r, c, d);
                if (x_old) {
                    nrxi_ct_differences_f32(b, x_old, i, z, r, c, e);
                    for (k = 0; k < b->dims; k++) d[k] = 2 * d[k] - e[k];
                }
                for (k = 0; k < b->dims; k++) {
                    d[k] = q[(size_t)k * n + i] + step * d[k];
                    norm += d[k] * d[k];
                }
                norm = norm > radius * radius ? radius / sqrtf(norm) : (float)1;
                for (k = 0; k < b->dims; k++) q[(size_t)k * n + i] = d[k] * norm;
            }
}

/* Sum of sqrtf(|differences|^2 + epsilon^2) - epsilon, and its gradient when grad is not NULL. */
NRXI_FN nrxi_ct_wide nrxi_ct_tv_value_f32(const nrxi_ct_box *b, const float *x, nrxi_ct_wide epsilon, float *grad)
{
    size_t z, r, c, i = 0, plane = b->rows * b->cols;
    nrxi_ct_wide total = 0;
    if (grad) memset(grad, 0, b->n * sizeof *grad);
    for (z = 0; z < b->slices; z++)
        for (r = 0; r < b->rows; r++) {
            nrxi_ct_wide part = 0;
            for (c = 0; c < b->cols; c++, i++) {
                float d[3];
                nrxi_ct_wide s;
                nrxi_ct_differences_f32(b, x, i, z, r, c, d);
                s = nrxi_ct_wide_root((nrxi_ct_wide)d[0] * d[0] + (nrxi_ct_wide)d[1] * d[1] + (nrxi_ct_wide)d[2] * d[2] + epsilon * epsilon);
                part += s - epsilon;
                if (!grad || s == 0) continue;
                grad[i] -= (float)((d[0] + d[1] + d[2]) / s);
                if (c + 1 < b->cols) grad[i + 1] += (float)(d[0] / s);
                if (r + 1 < b->rows) grad[i + b->cols] += (float)(d[1] / s);
                if (z + 1 < b->slices) grad[i + plane] += (float)(d[2] / s);
            }
            total += part;
        }
    return total;
}
/* <<< twin */

NRXI_FN double nrxi_ct_tv_value(const nrxi_ct_box *b, int dtype, const void *x, double epsilon, void *grad)
{
    return dtype == NRX_F32 ? nrxi_ct_tv_value_f32(b, (const float *)x, epsilon, (float *)grad)
                            : nrxi_ct_tv_value_f64(b, (const double *)x, epsilon, (double *)grad);
}
NRXI_FN void nrxi_ct_differences_t(const nrxi_ct_box *b, int dtype, const void *q, void *out)
{
    if (dtype == NRX_F32) nrxi_ct_differences_t_f32(b, (const float *)q, (float *)out);
    else nrxi_ct_differences_t_f64(b, (const double *)q, (double *)out);
}
NRXI_FN void nrxi_ct_dual_step(const nrxi_ct_box *b, int dtype, const void *x, const void *x_old, double step, double radius, void *q)
{
    if (dtype == NRX_F32) nrxi_ct_dual_step_f32(b, (const float *)x, (const float *)x_old, (float)step, (float)radius, (float *)q);
    else nrxi_ct_dual_step_f64(b, (const double *)x, (const double *)x_old, step, radius, (double *)q);
}

NRXI_FN nrx_status nrxi_ct_smooth_tv_eval(void *user, const void *x, double *value, void *grad)
{
    const nrx_ct_smooth_tv *s = (const nrx_ct_smooth_tv *)user;
    nrxi_ct_box b;
    double v;
    b.rows = s->rows; b.cols = s->cols; b.slices = s->slices; b.n = s->rows * s->cols * s->slices; b.dims = s->slices > 1 ? 3 : 2;
    v = nrxi_ct_tv_value(&b, s->dtype, x, s->epsilon, grad);
    if (value) *value = v;
    return NRX_OK;
}

NRX_DEF nrx_status nrx_ct_tv_functional(const nrx_ct_geometry *g, double epsilon, nrx_ct_smooth_tv *store, nrx_functional *R)
{
    nrx_status status = nrxi_ct_check(g, "nrx_ct_tv_functional");
    if (status != NRX_OK) return status;
    if (!store || !R || !(epsilon > 0)) return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_tv_functional: epsilon %g, expected > 0, or a NULL", epsilon);
    store->rows = g->rows;
    store->cols = g->cols;
    store->slices = nrxi_ct_slices(g);
    store->dtype = g->dtype;
    store->epsilon = epsilon;
    memset(R, 0, sizeof *R);
    R->eval = nrxi_ct_smooth_tv_eval;
    R->user = store;
    R->n = nrx_ct_image_size(g);
    R->dtype = g->dtype;
    R->convexity = NRX_CONVEX;
    R->lip = (store->slices > 1 ? 12 : 8) / epsilon;
    return NRX_OK;
}

/* -- TV by PDHG --
   K = [A; nu D], nu = |A| / |D|; dual p for the data, q for nu D. sigma = ratio / L, tau = 1 / (ratio L). The ratio follows the two residuals
   with ever smaller changes (Goldstein, Li, Yuan, Esser, Baraniuk 2015). */

typedef struct nrxi_ct_tv {
    const nrx_ct_geometry *g;
    const nrx_ct_solver *d;
    nrxi_ct_box box;
    const void *b;
    void *x, *x_new, *ax, *ax_new, *p, *q, *atp, *dtq, *work;
    double nu, lambda, L;
    double objective, gap, residual, b_norm;
} nrxi_ct_tv;

NRXI_FN double nrxi_ct_weight(const nrx_ct_solver *d, int dtype, size_t i) { return d->weights ? nrxi_ct_get(d->weights, dtype, i) : 1; }

/* Objective at x_new and the gap to the dual value at (p, q): P + 1/2 |p|^2_{1/w} + <b, p> + sum over pixels of the support function of the
   box at -(A^T p + D^T q), which is finite when both bounds are. */
NRXI_FN void nrxi_ct_tv_gap(nrxi_ct_tv *t)
{
    const nrx_ct_solver *d = t->d;
    int dtype = t->g->dtype;
    size_t m = nrx_ct_sino_size(t->g), i;
    double fit = 0, dual = 0, support = 0, rr = 0;
    for (i = 0; i < m; i++) {
        double b = nrxi_ct_get(t->b, dtype, i), r = nrxi_ct_get(t->ax_new, dtype, i) - b, p = nrxi_ct_get(t->p, dtype, i), w = nrxi_ct_weight(d, dtype, i);
        fit += 0.5 * w * r * r;
        rr += w * r * r;
        if (w > 0) dual += 0.5 * p * p / w + b * p;
    }
    t->residual = t->b_norm > 0 ? sqrt(rr) / t->b_norm : 0;
    t->objective = fit + t->lambda * nrxi_ct_tv_value(&t->box, dtype, t->x_new, 0, NULL);
    t->gap = HUGE_VAL;
    if (d->box != NRX_CT_BOX) return;
    for (i = 0; i < t->box.n; i++) {
        double s = -(nrxi_ct_get(t->atp, dtype, i) + t->nu * nrxi_ct_get(t->dtq, dtype, i));
        support += s > 0 ? d->upper * s : d->lower * s;
    }
    t->gap = t->objective + dual + support;
}

/* x_new = box(x - tau (A^T p + nu D^T q)); returns |x_new - x|^2 and |x_new|^2. */
NRXI_FN void nrxi_ct_tv_primal(nrxi_ct_tv *t, double tau, double *change, double *size)
{
    int dtype = t->g->dtype;
    size_t i;
    *change = *size = 0;
    for (i = 0; i < t->box.n; i++) {
        double x = nrxi_ct_get(t->x, dtype, i), v = x - tau * (nrxi_ct_get(t->atp, dtype, i) + t->nu * nrxi_ct_get(t->dtq, dtype, i));
        v = t->g->mask && !t->g->mask[i] ? 0 : nrxi_ct_clip(t->d, v);
        nrxi_ct_set(t->x_new, dtype, i, v);
        *change += (v - x) * (v - x);
        *size += v * v;
    }
}

/* p = (p + sigma (2 A x_new - A x - b)) / (1 + sigma / w); returns |change of p|^2. */
NRXI_FN double nrxi_ct_tv_dual(nrxi_ct_tv *t, double sigma)
{
    int dtype = t->g->dtype;
    size_t m = nrx_ct_sino_size(t->g), i;
    double change = 0;
    for (i = 0; i < m; i++) {
        double p = nrxi_ct_get(t->p, dtype, i), w = nrxi_ct_weight(t->d, dtype, i), v = 0;
        if (w > 0)
            v = (p + sigma * (2 * nrxi_ct_get(t->ax_new, dtype, i) - nrxi_ct_get(t->ax, dtype, i) - nrxi_ct_get(t->b, dtype, i))) / (1 + sigma / w);
        nrxi_ct_set(t->p, dtype, i, v);
        change += (v - p) * (v - p);
    }
    return change;
}

NRXI_FN int nrxi_ct_tv_pdhg(nrxi_ct_tv *t, int iterations, int *done)
{
    const nrx_ct_solver *d = t->d;
    const nrx_ct_geometry *g = t->g;
    double ratio = 1, adapt = 0.5;
    int k, stop = NRX_STOP_MAX_ITER;
    for (k = 0; k < iterations; k++) {
        double tau = 1 / (ratio * t->L), sigma = ratio / t->L, change, size, moved, relative;
        void *swap;
        nrxi_ct_tv_primal(t, tau, &change, &size);
        nrxi_ct_forward(g, t->x_new, t->ax_new, t->work);
        moved = nrxi_ct_tv_dual(t, sigma);
        nrxi_ct_dual_step(&t->box, g->dtype, t->x_new, t->x, sigma * t->nu, t->lambda / t->nu, t->q);
        nrxi_ct_adjoint(g, t->p, t->atp, t->work);
        nrxi_ct_differences_t(&t->box, g->dtype, t->q, t->dtq);
        nrxi_ct_tv_gap(t);
        swap = t->x; t->x = t->x_new; t->x_new = swap;
        swap = t->ax; t->ax = t->ax_new; t->ax_new = swap;
        *done = k + 1;
        relative = d->box == NRX_CT_BOX ? t->gap / (t->objective > 0 ? t->objective : 1) : size > 0 ? sqrt(change / size) : 0;
        if (d->info) nrxi_ct_remember(d->info, k, relative);
        if (!nrxi_finite_f64(&t->objective)) return NRX_STOP_NUMERIC;
        if (nrxi_progress(&g->env, (size_t)k + 1, (size_t)iterations, t->objective)) return NRX_STOP_CANCELLED;
        if (d->tolerance > 0 && k > 0 && relative < d->tolerance) return d->box == NRX_CT_BOX ? NRX_STOP_GAP : NRX_STOP_TOL;
        /* steps of primal and dual, each in its own metric, should be of one size */
        if (adapt > 1e-4 && k % 5 == 4) {
            double primal = sqrt(change) / tau, dual = sqrt(moved) / sigma;
            if (primal > 1.5 * dual) { ratio *= 1 - adapt; adapt *= 0.95; }
            else if (dual > 1.5 * primal) { ratio /= 1 - adapt; adapt *= 0.95; }
        }
    }
    return stop;
}

NRXI_FN void nrxi_ct_report(const nrx_ct_solver *d, int iterations, int stop, double residual, double objective, double gap)
{
    if (!d->info) return;
    d->info->iterations = iterations;
    d->info->stop = stop;
    d->info->residual = residual;
    d->info->objective = objective;
    d->info->gap = gap;
}

NRXI_FN nrx_status nrxi_ct_stop_status(const nrx_ct_geometry *g, int stop, const char *who)
{
    if (stop == NRX_STOP_CANCELLED) return nrxi_fail(&g->env, NRX_E_CANCELLED, "%s: cancelled by the progress callback", who);
    if (stop == NRX_STOP_NUMERIC) return nrxi_fail(&g->env, NRX_E_NUMERIC, "%s: the iteration left the finite numbers", who);
    return NRX_OK;
}

/* ||b||_w */
NRXI_FN double nrxi_ct_data_norm(const nrx_ct_geometry *g, const nrx_ct_solver *d, const void *b)
{
    size_t m = nrx_ct_sino_size(g), i;
    double s = 0;
    for (i = 0; i < m; i++) { double v = nrxi_ct_get(b, g->dtype, i); s += nrxi_ct_weight(d, g->dtype, i) * v * v; }
    return sqrt(s);
}

/* -- TV by FISTA --
   Gradient steps on the data term at y, prox of TV and the box by the fast gradient projection of Beck and Teboulle: x = box(v - D^T q) with
   |q_i| <= lambda / L. A x and A^T (A x - b) are carried along, so that y and the gap need no further projections. */

typedef struct nrxi_ct_fista {
    nrxi_ct_tv t;
    void *y, *grad, *grad_old, *v, *r, *q_old; /* point, A^T w (A x - b) now and before, prox input, dual extrapolation */
} nrxi_ct_fista;

/* x_new = prox of v, inner steps from the dual q of the last call; dtq is left as D^T q. */
NRXI_FN void nrxi_ct_fista_prox(nrxi_ct_fista *f, double radius, int inner)
{
    nrxi_ct_tv *t = &f->t;
    int dtype = t->g->dtype, k;
    size_t nq = t->box.n * (size_t)t->box.dims, i;
    double s = 1;
    nrxi_vec_copy(nq, dtype, t->q, f->r);
    for (k = 0; k <= inner; k++) {
        nrxi_ct_differences_t(&t->box, dtype, k < inner ? f->r : t->q, t->dtq);
        for (i = 0; i < t->box.n; i++) {
            double x = nrxi_ct_clip(t->d, nrxi_ct_get(f->v, dtype, i) - nrxi_ct_get(t->dtq, dtype, i));
            nrxi_ct_set(t->x_new, dtype, i, t->g->mask && !t->g->mask[i] ? 0 : x);
        }
        if (k < inner) {
            double s_new = 0.5 * (1 + sqrt(1 + 4 * s * s)), beta = (s - 1) / s_new;
            nrxi_vec_copy(nq, dtype, t->q, f->q_old);
            nrxi_vec_copy(nq, dtype, f->r, t->q);
            nrxi_ct_dual_step(&t->box, dtype, t->x_new, NULL, 1 / (t->box.dims == 3 ? 12.0 : 8.0), radius, t->q);
            nrxi_vec_lin(nq, dtype, 1 + beta, t->q, -beta, f->q_old, f->r);
            s = s_new;
        }
    }
}

/* p = w (A x_new - b), grad = A^T p */
NRXI_FN void nrxi_ct_fista_gradient(nrxi_ct_fista *f)
{
    nrxi_ct_tv *t = &f->t;
    int dtype = t->g->dtype;
    size_t m = nrx_ct_sino_size(t->g), i;
    nrxi_ct_forward(t->g, t->x_new, t->ax_new, t->work);
    for (i = 0; i < m; i++)
        nrxi_ct_set(t->p, dtype, i, nrxi_ct_weight(t->d, dtype, i) * (nrxi_ct_get(t->ax_new, dtype, i) - nrxi_ct_get(t->b, dtype, i)));
    nrxi_ct_adjoint(t->g, t->p, f->grad, t->work);
}

NRXI_FN int nrxi_ct_tv_fista(nrxi_ct_fista *f, int iterations, double lip, int *done)
{
    nrxi_ct_tv *t = &f->t;
    const nrx_ct_solver *d = t->d;
    int dtype = t->g->dtype, k;
    size_t n = t->box.n;
    double s = 1, beta = 0, best = HUGE_VAL;
    nrxi_vec_copy(n, dtype, t->x, t->x_new);
    nrxi_ct_fista_gradient(f);
    nrxi_vec_copy(n, dtype, f->grad, f->grad_old);
    nrxi_vec_copy(n, dtype, t->x, f->y); /* y holds the iterate before */
    for (k = 0; k < iterations; k++) {
        double change, size, relative, s_new = 0.5 * (1 + sqrt(1 + 4 * s * s));
        /* v = y - grad(y) / lip, y = x + beta (x - x_before), and the gradient likewise */
        nrxi_vec_lin(n, dtype, 1 + beta, t->x, -beta, f->y, f->v);
        nrxi_vec_lin(n, dtype, 1, f->v, -(1 + beta) / lip, f->grad, f->v);
        nrxi_vec_lin(n, dtype, 1, f->v, beta / lip, f->grad_old, f->v);
        nrxi_ct_fista_prox(f, t->lambda / lip, d->inner ? d->inner : 20);
        nrxi_vec_copy(n, dtype, f->grad, f->grad_old);
        nrxi_ct_fista_gradient(f);
        { void *swap = t->atp; t->atp = f->grad; t->nu = lip; nrxi_ct_tv_gap(t); t->atp = swap; }
        change = nrxi_vec_dist(n, dtype, t->x_new, t->x);
        size = sqrt(nrxi_vec_dot(n, dtype, t->x_new, t->x_new));
        nrxi_vec_copy(n, dtype, t->x, f->y);
        nrxi_vec_copy(n, dtype, t->x_new, t->x);
        *done = k + 1;
        relative = d->box == NRX_CT_BOX ? t->gap / (t->objective > 0 ? t->objective : 1) : size > 0 ? change / size : 0;
        if (d->info) nrxi_ct_remember(d->info, k, relative);
        if (!nrxi_finite_f64(&t->objective)) return NRX_STOP_NUMERIC;
        if (nrxi_progress(&t->g->env, (size_t)k + 1, (size_t)iterations, t->objective)) return NRX_STOP_CANCELLED;
        if (d->tolerance > 0 && relative < d->tolerance) return d->box == NRX_CT_BOX ? NRX_STOP_GAP : NRX_STOP_TOL;
        if (t->objective > best) s_new = 1, s = 1; /* the momentum went uphill */
        best = t->objective;
        beta = (s - 1) / s_new;
        s = s_new;
    }
    return NRX_STOP_MAX_ITER;
}

NRX_DEF nrx_status nrx_ct_tv(const nrx_ct_geometry *g, const void *sino, void *image, const nrx_ct_solver *desc)
{
    nrx_ct_solver d;
    nrxi_ct_fista f;
    nrxi_ct_tv *t = &f.t;
    nrxi_ct_vectors v;
    void *block;
    nrx_status status;
    int stop, done = 0;
    size_t n, m, nq, i;
    double bound = 0, heaviest = 1;
    memset(&d, 0, sizeof d);
    if (desc) d = *desc;
    if ((status = nrxi_ct_check_solver(g, sino, image, &d, "nrx_ct_tv")) != NRX_OK) return status;
    if (d.method < NRX_CT_PDHG || d.method > NRX_CT_FISTA) return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_tv: method %d is unknown", d.method);
    memset(&f, 0, sizeof f);
    t->g = g;
    t->d = &d;
    t->box = nrxi_ct_box_of(g);
    t->b = sino;
    t->lambda = d.lambda;
    n = t->box.n;
    m = nrx_ct_sino_size(g);
    nq = n * (size_t)t->box.dims;
    block = nrxi_ct_vectors_new(g, 4 + (size_t)t->box.dims + (d.method == NRX_CT_FISTA ? 4 + 2 * (size_t)t->box.dims : 0), 3, &v);
    if (!block) return nrxi_fail(&g->env, NRX_E_NOMEM, "nrx_ct_tv: no memory for %d images and 3 sinograms", d.method == NRX_CT_FISTA ? 14 : 6);
    t->x = nrxi_ct_take(&v, n); t->x_new = nrxi_ct_take(&v, n); t->atp = nrxi_ct_take(&v, n); t->dtq = nrxi_ct_take(&v, n);
    t->q = nrxi_ct_take(&v, nq);
    t->ax = nrxi_ct_take(&v, m); t->ax_new = nrxi_ct_take(&v, m); t->p = nrxi_ct_take(&v, m);
    t->work = nrxi_ct_take(&v, nrxi_ct_work(g));
    if (d.method == NRX_CT_FISTA) {
        f.y = nrxi_ct_take(&v, n); f.grad = nrxi_ct_take(&v, n); f.grad_old = nrxi_ct_take(&v, n); f.v = nrxi_ct_take(&v, n);
        f.r = nrxi_ct_take(&v, nq); f.q_old = nrxi_ct_take(&v, nq);
    }
    status = nrxi_ct_norm_work(g, 4, NULL, &bound, t->work);
    if (status != NRX_OK) { nrxi_free(&g->env, block); return nrxi_fail(&g->env, status, "nrx_ct_tv: no memory for an image and a sinogram"); }
    if (!(bound > 0)) bound = 1;
    t->b_norm = nrxi_ct_data_norm(g, &d, sino);
    if (d.warm_start) nrxi_vec_copy(n, g->dtype, image, t->x);
    for (i = 0; d.weights && i < m; i++) if (nrxi_ct_get(d.weights, g->dtype, i) > heaviest) heaviest = nrxi_ct_get(d.weights, g->dtype, i);
    if (d.method == NRX_CT_PDHG) {
        t->L = bound * sqrt(2.0);
        t->nu = bound / sqrt(t->box.dims == 3 ? 12.0 : 8.0);
        if (d.warm_start) nrxi_ct_forward(g, t->x, t->ax, t->work);
        stop = nrxi_ct_tv_pdhg(t, d.iterations ? d.iterations : 300, &done);
    } else stop = nrxi_ct_tv_fista(&f, d.iterations ? d.iterations : 100, bound * bound * heaviest, &done);
    if (stop != NRX_STOP_NUMERIC) nrxi_vec_copy(n, g->dtype, t->x, image);
    nrxi_ct_report(&d, done, stop, t->residual, t->objective, t->gap);
    nrxi_free(&g->env, block);
    return nrxi_ct_stop_status(g, stop, "nrx_ct_tv");
}

/* -- least squares through the operator door -- */

/* sqrt(W) A, for weighted least squares by any solver over operators. */
typedef struct nrxi_ct_weighted { nrx_linop a; void *root, *copy; } nrxi_ct_weighted;

NRXI_FN void nrxi_ct_multiply(size_t n, int dtype, const void *w, const void *x, void *y)
{
    size_t i;
    if (dtype == NRX_F32) for (i = 0; i < n; i++) ((float *)y)[i] = ((const float *)w)[i] * ((const float *)x)[i];
    else for (i = 0; i < n; i++) ((double *)y)[i] = ((const double *)w)[i] * ((const double *)x)[i];
}

NRXI_FN nrx_status nrxi_ct_weighted_apply(void *user, const void *x, void *y)
{
    nrxi_ct_weighted *o = (nrxi_ct_weighted *)user;
    nrx_status status = o->a.apply(o->a.user, x, y);
    if (o->root) nrxi_ct_multiply(o->a.rows, o->a.dtype, o->root, y, y);
    return status;
}

NRXI_FN nrx_status nrxi_ct_weighted_adjoint(void *user, const void *y, void *x)
{
    nrxi_ct_weighted *o = (nrxi_ct_weighted *)user;
    if (!o->root) return o->a.adjoint(o->a.user, y, x);
    nrxi_ct_multiply(o->a.rows, o->a.dtype, o->root, y, o->copy);
    return o->a.adjoint(o->a.user, o->copy, x);
}

/* Operator and data of a solve: op, b (of the caller, or weighted in the second half of copy). */
typedef struct nrxi_ct_problem { nrxi_ct_weighted w; nrx_linop op; const void *b; void *block; } nrxi_ct_problem;

NRXI_FN void nrxi_ct_problem_free(const nrx_ct_geometry *g, nrxi_ct_problem *p)
{
    nrx_ct_linop_free(&p->w.a);
    nrxi_free(&g->env, p->block);
}

NRXI_FN nrx_status nrxi_ct_problem_new(const nrx_ct_geometry *g, const void *sino, const nrx_ct_solver *d, nrxi_ct_problem *p, const char *who)
{
    size_t m = nrx_ct_sino_size(g), bytes = nrxi_dtype_size(g->dtype), i;
    double heaviest = 0;
    nrx_status status;
    memset(p, 0, sizeof *p);
    if ((status = nrx_ct_linop(g, &p->w.a)) != NRX_OK) return status;
    p->op = p->w.a;
    p->op.apply = nrxi_ct_weighted_apply;
    p->op.adjoint = nrxi_ct_weighted_adjoint;
    p->op.user = &p->w;
    p->b = sino;
    if (!d->weights) return NRX_OK;
    p->block = nrxi_alloc(&g->env, 3 * m, bytes);
    if (!p->block) {
        nrxi_ct_problem_free(g, p);
        return nrxi_fail(&g->env, NRX_E_NOMEM, "%s: no memory for three sinograms of weights", who);
    }
    p->w.root = p->block;
    p->w.copy = (unsigned char *)p->block + m * bytes;
    for (i = 0; i < m; i++) {
        double w = nrxi_ct_get(d->weights, g->dtype, i);
        if (w > heaviest) heaviest = w;
        nrxi_ct_set(p->w.root, g->dtype, i, sqrt(w));
    }
    p->op.norm *= sqrt(heaviest);
    p->b = (unsigned char *)p->block + 2 * m * bytes;
    nrxi_ct_multiply(m, g->dtype, p->w.root, sino, (unsigned char *)p->block + 2 * m * bytes);
    return NRX_OK;
}

/* |A x - b| (weighted) / |b|, by one more projection into fresh memory; 0 for b = 0, -1 without memory. */
NRXI_FN double nrxi_ct_final_residual(const nrx_ct_geometry *g, nrxi_ct_problem *p, const void *x)
{
    size_t m = p->op.rows;
    void *r = nrxi_alloc(&g->env, m, nrxi_dtype_size(g->dtype));
    double b = sqrt(nrxi_vec_dot(m, g->dtype, p->b, p->b)), result = -1;
    if (r && p->op.apply(p->op.user, x, r) == NRX_OK) result = b > 0 ? nrxi_vec_dist(m, g->dtype, r, p->b) / b : 0;
    nrxi_free(&g->env, r);
    return result;
}

NRXI_FN void nrxi_ct_describe(const nrx_ct_geometry *g, const nrx_ct_solver *d, size_t iterations, nrx_solve_desc *s)
{
    memset(s, 0, sizeof *s);
    s->max_iter = iterations;
    s->tol = d->tolerance > 0 ? d->tolerance : -1;
    s->discrepancy = d->discrepancy;
    s->damp = d->lambda;
    s->use_lower = (d->box & NRX_CT_LOWER) != 0;
    s->use_upper = (d->box & NRX_CT_UPPER) != 0;
    s->lower = d->lower;
    s->upper = d->upper;
    if (d->info) { s->history = d->info->history; s->history_size = d->info->history_size; }
    s->env = g->env;
}

NRXI_FN nrx_status nrxi_ct_krylov(const nrx_ct_geometry *g, const void *sino, void *image, const nrx_ct_solver *desc, int lsqr)
{
    const char *who = lsqr ? "nrx_ct_lsqr" : "nrx_ct_cgls";
    nrx_ct_solver d;
    nrxi_ct_problem p;
    nrx_solve_desc sd;
    nrx_solve_info si;
    nrx_status status;
    memset(&d, 0, sizeof d);
    if (desc) d = *desc;
    if ((status = nrxi_ct_check_solver(g, sino, image, &d, who)) != NRX_OK) return status;
    if (d.box) return nrxi_fail(&g->env, NRX_E_UNSUPPORTED, "%s: no box constraints; use nrx_ct_variational, nrx_ct_tv or nrx_ct_sirt", who);
    if ((status = nrxi_ct_problem_new(g, sino, &d, &p, who)) != NRX_OK) return status;
    if (!d.warm_start) memset(image, 0, nrx_ct_image_size(g) * nrxi_dtype_size(g->dtype));
    nrxi_ct_describe(g, &d, d.iterations ? (size_t)d.iterations : 30, &sd);
    memset(&si, 0, sizeof si);
    status = lsqr ? nrxi_solve_lsqr(who, &p.op, p.b, image, &sd, &si) : nrxi_solve_cgls(who, &p.op, p.b, image, &sd, &si);
    if (d.info) nrxi_ct_report(&d, (int)si.iterations, si.stop, nrxi_ct_final_residual(g, &p, image), si.objective, HUGE_VAL);
    nrxi_ct_problem_free(g, &p);
    return status;
}

NRX_DEF nrx_status nrx_ct_cgls(const nrx_ct_geometry *g, const void *sino, void *image, const nrx_ct_solver *desc) { return nrxi_ct_krylov(g, sino, image, desc, 0); }
NRX_DEF nrx_status nrx_ct_lsqr(const nrx_ct_geometry *g, const void *sino, void *image, const nrx_ct_solver *desc) { return nrxi_ct_krylov(g, sino, image, desc, 1); }

/* -- any functional -- */

/* fidelity(A x; b) (unless least squares) + lambda R(x) as one functional; masked pixels do not move. */
typedef struct nrxi_ct_sum {
    const nrx_ct_geometry *g;
    const nrx_ct_solver *d;
    const nrx_functional *R;
    nrxi_ct_problem *p;
    const void *b;
    void *ax, *part;          /* sinogram and image */
} nrxi_ct_sum;

/* Poisson likelihoods of the model ybar = A x + r or I0 exp(-A x) + r: value, and its derivative by A x in place of A x. */
NRXI_FN double nrxi_ct_poisson_value(const nrxi_ct_sum *s, size_t m)
{
    int dtype = s->g->dtype, transmission = s->d->fidelity == NRX_CT_TRANSMISSION;
    double total = 0;
    size_t i;
    for (i = 0; i < m; i++) {
        double t = nrxi_ct_get(s->ax, dtype, i), b = nrxi_ct_get(s->b, dtype, i), r = s->d->background, mean, slope = 1;
        if (transmission) {
            double primary = s->d->photons * exp(-t);
            b = s->d->photons * exp(-b) + r;
            mean = primary + r;
            slope = -primary;
        } else mean = t + r;
        if (mean < 1e-12) mean = 1e-12;
        total += mean - (b > 0 ? b * log(mean / b) + b : 0); /* >= 0, zero for a perfect fit */
        nrxi_ct_set(s->ax, dtype, i, slope * (1 - b / mean));
    }
    return total;
}

NRXI_FN nrx_status nrxi_ct_sum_eval(void *user, const void *x, double *value, void *grad)
{
    nrxi_ct_sum *s = (nrxi_ct_sum *)user;
    size_t n = nrx_ct_image_size(s->g), i;
    int dtype = s->g->dtype, poisson = s->d->fidelity != NRX_CT_LEAST_SQUARES;
    double total = 0, r = 0;
    nrx_status status = NRX_OK;
    if (poisson) {
        status = s->p->w.a.apply(s->p->w.a.user, x, s->ax);
        if (status != NRX_OK) return status;
        total = nrxi_ct_poisson_value(s, s->p->op.rows);
        if (grad) status = s->p->w.a.adjoint(s->p->w.a.user, s->ax, grad);
    } else if (grad) memset(grad, 0, n * nrxi_dtype_size(dtype));
    if (status == NRX_OK && s->R && s->d->lambda > 0) {
        status = s->R->eval(s->R->user, x, value ? &r : NULL, grad ? s->part : NULL);
        if (grad) nrxi_vec_lin(n, dtype, 1, grad, s->d->lambda, s->part, grad);
        total += s->d->lambda * r;
    }
    if (grad && s->g->mask) for (i = 0; i < n; i++) if (!s->g->mask[i]) nrxi_ct_set(grad, dtype, i, 0);
    if (value) *value = total;
    return status;
}

NRXI_FN nrx_status nrxi_ct_check_variational(const nrx_ct_geometry *g, const nrx_functional *R, const nrx_ct_solver *d)
{
    if (d->lambda > 0 && R && !R->eval) return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_variational: the functional has no eval");
    if (R && (R->n != nrx_ct_image_size(g) || R->dtype != g->dtype))
        return nrxi_fail(&g->env, NRX_E_SHAPE, "nrx_ct_variational: functional of %zu elements of dtype %d, image has %zu of dtype %d", R->n, R->dtype,
                         nrx_ct_image_size(g), g->dtype);
    if (d->fidelity < NRX_CT_LEAST_SQUARES || d->fidelity > NRX_CT_TRANSMISSION)
        return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_variational: fidelity %d is unknown", d->fidelity);
    if (d->fidelity != NRX_CT_LEAST_SQUARES && (d->weights || !(d->background >= 0)))
        return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_variational: Poisson fidelities take no weights, and background %g >= 0", d->background);
    if (d->fidelity == NRX_CT_TRANSMISSION && !(d->photons > 0))
        return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_variational: photons %g, expected > 0 for the transmission fidelity", d->photons);
    return NRX_OK;
}

NRX_DEF nrx_status nrx_ct_variational(const nrx_ct_geometry *g, const void *sino, const nrx_functional *R, void *image, const nrx_ct_solver *desc)
{
    nrx_ct_solver d;
    nrxi_ct_problem p;
    nrxi_ct_sum s;
    nrx_functional f;
    nrx_solve_desc sd;
    nrx_solve_info si;
    void *block = NULL;
    size_t bytes;
    int least_squares;
    nrx_status status;
    memset(&d, 0, sizeof d);
    if (desc) d = *desc;
    if ((status = nrxi_ct_check_solver(g, sino, image, &d, "nrx_ct_variational")) != NRX_OK) return status;
    if ((status = nrxi_ct_check_variational(g, R, &d)) != NRX_OK) return status;
    if ((status = nrxi_ct_problem_new(g, sino, &d, &p, "nrx_ct_variational")) != NRX_OK) return status;
    bytes = nrxi_dtype_size(g->dtype);
    least_squares = d.fidelity == NRX_CT_LEAST_SQUARES;
    block = nrxi_alloc(&g->env, p.op.cols + (least_squares ? 0 : p.op.rows), bytes);
    if (!block) status = nrxi_fail(&g->env, NRX_E_NOMEM, "nrx_ct_variational: no memory for an image and a sinogram");
    else {
        memset(&s, 0, sizeof s);
        s.g = g; s.d = &d; s.R = R; s.p = &p; s.b = sino;
        s.part = block;
        s.ax = (unsigned char *)block + p.op.cols * bytes;
        memset(&f, 0, sizeof f);
        f.eval = nrxi_ct_sum_eval;
        f.user = &s;
        f.n = p.op.cols;
        f.dtype = g->dtype;
        f.convexity = R && d.lambda > 0 ? R->convexity : NRX_CONVEX;
        if (least_squares && R && R->lip > 0) {
            f.lip = d.lambda * R->lip;
            f.mu = d.lambda * R->mu;
            f.rho = d.lambda * R->rho;
        }
        if (!d.warm_start) memset(image, 0, p.op.cols * bytes);
        nrxi_ct_describe(g, &d, d.iterations ? (size_t)d.iterations : 200, &sd);
        sd.damp = 0;
        memset(&si, 0, sizeof si);
        status = nrxi_solve_smooth("nrx_ct_variational", least_squares ? &p.op : NULL, least_squares ? p.b : NULL, &f, NULL, image, &sd, &si);
        if (d.info) nrxi_ct_report(&d, (int)si.iterations, si.stop, nrxi_ct_final_residual(g, &p, image), si.objective, si.gap >= 0 ? si.gap : HUGE_VAL);
    }
    nrxi_free(&g->env, block);
    nrxi_ct_problem_free(g, &p);
    return status;
}

/* -- SIRT, SART, MLEM: steps with row and column sums, subset by subset -- */

typedef struct nrxi_ct_subset { nrx_ct_geometry g; size_t first, step; } nrxi_ct_subset;

/* Copies the views of a subset out of a sinogram. */
NRXI_FN void nrxi_ct_pick_views(const nrxi_ct_subset *s, const void *sino, void *out)
{
    size_t i, bytes = s->g.bins * nrxi_ct_bin_rows(&s->g) * nrxi_dtype_size(s->g.dtype);
    for (i = 0; i < s->g.views; i++)
        memcpy((unsigned char *)out + i * bytes, (const unsigned char *)sino + (s->first + i * s->step) * bytes, bytes);
}

typedef struct nrxi_ct_rows {
    const nrx_ct_geometry *g;
    const nrx_ct_solver *d;
    const void *sino;
    size_t subsets;
    void *x, *step, *cols, *r, *b, *sums, *work; /* image, update, column sums; of a subset: A x, data, row sums */
    double total, norm;                          /* running |r|^2 (or likelihood), |b| */
    int likelihood, surrogate;                   /* surrogate: weighted subsets */
} nrxi_ct_rows;

/* Subset k of the sweep: golden-section order, so that neighbours in time are far apart in angle. */
NRXI_FN nrxi_ct_subset nrxi_ct_subset_of(const nrxi_ct_rows *p, size_t k)
{
    nrxi_ct_subset s;
    size_t stride = (size_t)((double)p->subsets * 0.38196601125 + 0.5), a, b;
    for (stride += stride == 0;; stride++) { /* coprime to the number of subsets, so that all are met */
        for (a = p->subsets, b = stride; b;) { size_t t = a % b; a = b; b = t; }
        if (a == 1) break;
    }
    s.first = (k * stride) % p->subsets;
    s.step = p->subsets;
    s.g = nrx_ct_geometry_subset(p->g, s.first, s.step, 0);
    return s;
}

/* r = R (b - A x) on the subset; counts the residual. */
NRXI_FN void nrxi_ct_rows_residual(nrxi_ct_rows *p, const nrxi_ct_subset *s, const void *ones)
{
    int dtype = p->g->dtype;
    size_t m = nrx_ct_sino_size(&s->g), per_view = m / s->g.views, i;
    double largest = 0;
    nrxi_ct_forward(&s->g, ones, p->sums, p->work);
    nrxi_ct_forward(&s->g, p->x, p->r, p->work);
    nrxi_ct_pick_views(s, p->sino, p->b);
    for (i = 0; i < m; i++) { double v = nrxi_ct_get(p->sums, dtype, i); if (v > largest) largest = v; }
    for (i = 0; i < m; i++) {
        double v = nrxi_ct_get(p->b, dtype, i) - nrxi_ct_get(p->r, dtype, i), sum = nrxi_ct_get(p->sums, dtype, i);
        double w = nrxi_ct_weight(p->d, dtype, (s->first + i / per_view * s->step) * per_view + i % per_view);
        p->total += w * v * v;
        nrxi_ct_set(p->r, dtype, i, sum > 1e-6 * largest ? w * v / (p->surrogate ? 1 : sum) : 0);
    }
}

/* r = b / (A x + background) on the subset; counts the log-likelihood. */
NRXI_FN void nrxi_ct_rows_ratio(nrxi_ct_rows *p, const nrxi_ct_subset *s)
{
    int dtype = p->g->dtype;
    size_t m = nrx_ct_sino_size(&s->g), i;
    nrxi_ct_forward(&s->g, p->x, p->r, p->work);
    nrxi_ct_pick_views(s, p->sino, p->b);
    for (i = 0; i < m; i++) {
        double b = nrxi_ct_get(p->b, dtype, i), mean = nrxi_ct_get(p->r, dtype, i) + p->d->background;
        if (mean > 0) p->total += b > 0 ? b * log(mean) - mean : -mean;
        nrxi_ct_set(p->r, dtype, i, mean > 0 ? b / mean : 0);
    }
}

NRXI_FN void nrxi_ct_rows_step(nrxi_ct_rows *p, const nrxi_ct_subset *s, double relaxation)
{
    const nrx_ct_geometry *g = p->g;
    size_t n = nrx_ct_image_size(g), i;
    double largest = 0;
    nrxi_ct_adjoint(&s->g, p->r, p->step, p->work);
    for (i = 0; i < n; i++) { double c = nrxi_ct_get(p->cols, g->dtype, i); if (c > largest) largest = c; }
    for (i = 0; i < n; i++) {
        double x = nrxi_ct_get(p->x, g->dtype, i), c = nrxi_ct_get(p->cols, g->dtype, i) / (double)p->subsets, u = nrxi_ct_get(p->step, g->dtype, i);
        if (c <= 1e-6 * largest / (double)p->subsets) { if (p->likelihood) nrxi_ct_set(p->x, g->dtype, i, 0); continue; }
        nrxi_ct_set(p->x, g->dtype, i, p->likelihood ? x * u / c : nrxi_ct_clip(p->d, x + relaxation * u / c));
    }
}

NRXI_FN nrx_status nrxi_ct_rows_run(nrxi_ct_rows *p, int iterations, void *ones, const char *who)
{
    const nrx_ct_geometry *g = p->g;
    const nrx_ct_solver *d = p->d;
    double relative = 0, relaxation = d->relaxation > 0 ? d->relaxation : 1;
    int k, stop = NRX_STOP_MAX_ITER;
    for (k = 0; k < iterations; k++) {
        size_t s;
        double value;
        p->total = 0;
        for (s = 0; s < p->subsets; s++) {
            nrxi_ct_subset sub = nrxi_ct_subset_of(p, s);
            if (p->likelihood) nrxi_ct_rows_ratio(p, &sub);
            else nrxi_ct_rows_residual(p, &sub, ones);
            nrxi_ct_rows_step(p, &sub, relaxation);
        }
        relative = p->likelihood ? 0 : p->norm > 0 ? sqrt(p->total) / p->norm : 0;
        value = p->likelihood ? p->total : relative;
        if (d->info) nrxi_ct_remember(d->info, k, value);
        if (!nrxi_finite_f64(&p->total)) { stop = NRX_STOP_NUMERIC; break; }
        if (nrxi_progress(&g->env, (size_t)k + 1, (size_t)iterations, value)) { stop = NRX_STOP_CANCELLED; k++; break; }
        if (!p->likelihood && d->tolerance > 0 && relative < d->tolerance) { stop = NRX_STOP_TOL; k++; break; }
        if (!p->likelihood && d->discrepancy > 0 && sqrt(p->total) <= d->discrepancy) { stop = NRX_STOP_DISCREPANCY; k++; break; }
    }
    nrxi_ct_report(d, k, stop, relative, p->likelihood ? p->total : 0.5 * p->total, HUGE_VAL);
    return nrxi_ct_stop_status(g, stop, who);
}

NRXI_FN nrx_status nrxi_ct_rows_call(const nrx_ct_geometry *g, const void *sino, void *image, const nrx_ct_solver *desc, int iterations, size_t subsets,
                                     int likelihood, const char *who)
{
    nrx_ct_solver d;
    nrxi_ct_rows p;
    nrxi_ct_vectors v;
    nrx_status status;
    void *block, *ones, *unit;
    size_t n, m, i;
    memset(&d, 0, sizeof d);
    if (desc) d = *desc;
    if ((status = nrxi_ct_check_solver(g, sino, image, &d, who)) != NRX_OK) return status;
    n = nrx_ct_image_size(g);
    m = nrx_ct_sino_size(g);
    if (d.subsets) subsets = d.subsets;
    if (subsets > g->views) subsets = g->views;
    if (d.weights && likelihood) return nrxi_fail(&g->env, NRX_E_UNSUPPORTED, "%s: takes no weights", who);
    for (i = 0; likelihood && i < m; i++)
        if (nrxi_ct_get(sino, g->dtype, i) < 0) return nrxi_fail(&g->env, NRX_E_ARG, "%s: count %zu is %g, expected >= 0", who, i, nrxi_ct_get(sino, g->dtype, i));
    block = nrxi_ct_vectors_new(g, 4, 4, &v);
    if (!block) return nrxi_fail(&g->env, NRX_E_NOMEM, "%s: no memory for four images and four sinograms", who);
    memset(&p, 0, sizeof p);
    p.g = g; p.d = &d; p.sino = sino; p.subsets = subsets; p.likelihood = likelihood;
    p.x = nrxi_ct_take(&v, n); p.step = nrxi_ct_take(&v, n); p.cols = nrxi_ct_take(&v, n); ones = nrxi_ct_take(&v, n);
    p.r = nrxi_ct_take(&v, m); p.b = nrxi_ct_take(&v, m); p.sums = nrxi_ct_take(&v, m); unit = nrxi_ct_take(&v, m);
    p.work = nrxi_ct_take(&v, nrxi_ct_work(g));
    for (i = 0; i < n; i++) nrxi_ct_set(ones, g->dtype, i, 1);
    p.surrogate = d.weights && subsets > 1;
    if (p.surrogate) nrxi_ct_forward(g, ones, unit, p.work);
    for (i = 0; i < m; i++) nrxi_ct_set(unit, g->dtype, i, (p.surrogate ? nrxi_ct_get(unit, g->dtype, i) : 1) * nrxi_ct_weight(&d, g->dtype, i));
    nrxi_ct_adjoint(g, unit, p.cols, p.work);
    if (d.warm_start) nrxi_vec_copy(n, g->dtype, image, p.x);
    else if (likelihood) nrxi_vec_copy(n, g->dtype, ones, p.x);
    nrxi_ct_apply_mask(g, p.x);
    p.norm = nrxi_ct_data_norm(g, &d, sino);
    status = nrxi_ct_rows_run(&p, d.iterations ? d.iterations : iterations, ones, who);
    if (status == NRX_OK || status == NRX_E_CANCELLED) nrxi_vec_copy(n, g->dtype, p.x, image);
    nrxi_free(&g->env, block);
    return status;
}

NRX_DEF nrx_status nrx_ct_sirt(const nrx_ct_geometry *g, const void *sino, void *image, const nrx_ct_solver *desc)
{
    if (desc && desc->subsets > 1) return nrxi_fail(g ? &g->env : NULL, NRX_E_ARG, "nrx_ct_sirt: %zu subsets; ordered subsets are nrx_ct_sart", desc->subsets);
    return nrxi_ct_rows_call(g, sino, image, desc, 100, 1, 0, "nrx_ct_sirt");
}
NRX_DEF nrx_status nrx_ct_sart(const nrx_ct_geometry *g, const void *sino, void *image, const nrx_ct_solver *desc)
{
    return nrxi_ct_rows_call(g, sino, image, desc, 10, g ? g->views : 1, 0, "nrx_ct_sart");
}
NRX_DEF nrx_status nrx_ct_mlem(const nrx_ct_geometry *g, const void *sino, void *image, const nrx_ct_solver *desc)
{
    if (desc && !(desc->background >= 0)) return nrxi_fail(g ? &g->env : NULL, NRX_E_ARG, "nrx_ct_mlem: background %g, expected >= 0", desc->background);
    return nrxi_ct_rows_call(g, sino, image, desc, 50, 1, 1, "nrx_ct_mlem");
}

/* ==== choosing lambda ==== */

NRX_DEF nrx_status nrx_ct_residual(const nrx_ct_geometry *g, const void *image, const void *sino, double *relative)
{
    size_t m = nrx_ct_sino_size(g);
    nrx_status status = nrxi_ct_check(g, "nrx_ct_residual");
    void *y;
    double b;
    if (status != NRX_OK) return status;
    if (!image || !sino || !relative) return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_residual: an argument is NULL");
    y = nrxi_alloc(&g->env, m, nrxi_dtype_size(g->dtype));
    if (!y) return nrxi_fail(&g->env, NRX_E_NOMEM, "nrx_ct_residual: no memory for a sinogram");
    status = nrx_ct_project(g, image, y);
    b = sqrt(nrxi_vec_dot(m, g->dtype, sino, sino));
    if (status == NRX_OK && !(b > 0)) status = nrxi_fail(&g->env, NRX_E_NUMERIC, "nrx_ct_residual: the sinogram is zero");
    if (status == NRX_OK) *relative = nrxi_vec_dist(m, g->dtype, y, sino) / b;
    nrxi_free(&g->env, y);
    return status;
}

/* k-th smallest of x[n] by Hoare's selection; reorders x. */
NRXI_FN double nrxi_ct_kth(double *x, size_t n, size_t k)
{
    ptrdiff_t lo = 0, hi = (ptrdiff_t)n - 1, at = (ptrdiff_t)k;
    while (lo < hi) {
        double pivot = x[at];
        ptrdiff_t i = lo, j = hi;
        do {
            while (x[i] < pivot) i++;
            while (pivot < x[j]) j--;
            if (i <= j) {
                double t = x[i]; x[i] = x[j]; x[j] = t;
                i++;
                j--;
            }
        } while (i <= j);
        if (j < at) lo = i;
        if (at < i) hi = j;
    }
    return x[at];
}

NRX_DEF nrx_status nrx_ct_noise_level(const nrx_ct_geometry *g, const void *sino, double *sigma)
{
    size_t rows, r, j, n = 0;
    double *d;
    nrx_status status = nrxi_ct_check(g, "nrx_ct_noise_level");
    if (status != NRX_OK) return status;
    if (!sino || !sigma || g->bins < 4) return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_noise_level: needs a sinogram with four bins or more");
    if (!nrxi_all_finite(sino, nrx_ct_sino_size(g), g->dtype)) return nrxi_fail(&g->env, NRX_E_NUMERIC, "nrx_ct_noise_level: the sinogram holds a NaN or an infinity");
    rows = g->views * nrxi_ct_bin_rows(g);
    d = (double *)nrxi_alloc(&g->env, rows * (g->bins - 3), sizeof *d);
    if (!d) return nrxi_fail(&g->env, NRX_E_NOMEM, "nrx_ct_noise_level: no memory for a sinogram");
    for (r = 0; r < rows; r++)
        for (j = 0; j + 3 < g->bins; j++) {
            size_t at = r * g->bins + j;
            d[n++] = fabs(nrxi_ct_get(sino, g->dtype, at) - 3 * nrxi_ct_get(sino, g->dtype, at + 1) + 3 * nrxi_ct_get(sino, g->dtype, at + 2)
                          - nrxi_ct_get(sino, g->dtype, at + 3));
        }
    *sigma = nrxi_ct_kth(d, n, n / 2) / (0.67448975 * sqrt(20.0)); /* 1 + 9 + 9 + 1 */
    nrxi_free(&g->env, d);
    return NRX_OK;
}

typedef struct nrxi_ct_search {
    const nrx_ct_geometry *g;
    const void *sino;
    const nrx_functional *R;
    nrx_ct_solver base;
    nrx_ct_choice how;
    nrx_ct_info info;
    void *image, *y, *probe, *other; /* probe: sinogram of signs, then b + eps probe; other: the image from it */
    double slope;                   /* the regularizer's value, for the L-curve */
} nrxi_ct_search;

NRXI_FN nrx_status nrxi_ct_search_solve(nrxi_ct_search *s, const nrx_ct_geometry *g, const void *sino, double lambda, void *image)
{
    nrx_ct_solver d = s->base;
    d.lambda = lambda;
    d.info = &s->info;
    return s->R ? nrx_ct_variational(g, sino, s->R, image, &d) : nrx_ct_tv(g, sino, image, &d);
}

/* Mean squared error of predicting each fold of views from the others, relative to the data. */
NRXI_FN nrx_status nrxi_ct_held_out(nrxi_ct_search *s, double lambda, double *score)
{
    const nrx_ct_geometry *g = s->g;
    size_t fold, i, row = g->bins * nrxi_ct_bin_rows(g), bytes = row * nrxi_dtype_size(g->dtype), views, at;
    const void *weights = s->base.weights;
    double error = 0, power = 0;
    void *list = nrxi_alloc(&g->env, g->views, sizeof(nrx_ct_view) > sizeof(double) ? sizeof(nrx_ct_view) : sizeof(double));
    nrx_status status = list ? NRX_OK : nrxi_fail(&g->env, NRX_E_NOMEM, "nrx_ct_choose_lambda: no memory for the views");
    for (fold = 0; fold < s->how.folds && status == NRX_OK; fold++) {
        nrx_ct_geometry rest = *g, out = nrx_ct_geometry_subset(g, fold, s->how.folds, 0);
        for (views = 0, i = 0; i < g->views; i++) {
            if (i % s->how.folds == fold) continue;
            if (nrxi_ct_by_vectors(g)) ((nrx_ct_view *)list)[views] = g->vectors[i * nrxi_ct_stride(g)];
            else ((double *)list)[views] = nrx_ct_angle(g, i);
            memcpy((unsigned char *)s->y + views * bytes, (const unsigned char *)s->sino + i * bytes, bytes);
            if (weights) memcpy((unsigned char *)s->probe + views * bytes, (const unsigned char *)weights + i * bytes, bytes);
            views++;
        }
        rest.views = views;
        rest.stride = 1;
        if (nrxi_ct_by_vectors(g)) rest.vectors = (const nrx_ct_view *)list;
        else rest.angles = (const double *)list;
        s->base.weights = weights ? s->probe : NULL;
        status = nrxi_ct_search_solve(s, &rest, s->y, lambda, s->image);
        s->base.weights = weights;
        if (status == NRX_OK) status = nrx_ct_project(&out, s->image, s->y);
        for (at = 0, i = fold; status == NRX_OK && i < g->views; i += s->how.folds, at++) {
            size_t k;
            for (k = 0; k < row; k++) {
                double b = nrxi_ct_get(s->sino, g->dtype, i * row + k), e = nrxi_ct_get(s->y, g->dtype, at * row + k) - b;
                double w = nrxi_ct_weight(&s->base, g->dtype, i * row + k);
                error += w * e * e;
                power += w * b * b;
            }
        }
    }
    nrxi_free(&g->env, list);
    *score = power > 0 ? error / power : 0;
    return status;
}

/* |A x - b| of the reconstruction, and for the L-curve the regularizer. */
NRXI_FN nrx_status nrxi_ct_fit(nrxi_ct_search *s, double lambda, double *norm)
{
    const nrx_ct_geometry *g = s->g;
    size_t m = nrx_ct_sino_size(g);
    nrxi_ct_box box = nrxi_ct_box_of(g);
    nrx_status status = nrxi_ct_search_solve(s, g, s->sino, lambda, s->image);
    if (status == NRX_OK) status = nrx_ct_project(g, s->image, s->y);
    if (status != NRX_OK) return status;
    *norm = nrxi_vec_dist(m, g->dtype, s->y, s->sino);
    if (!s->R) s->slope = nrxi_ct_tv_value(&box, g->dtype, s->image, 0, NULL);
    else status = s->R->eval(s->R->user, s->image, &s->slope, NULL);
    return status;
}

/* GCV: |A x - b|^2 / (m - trace)^2, trace of the influence matrix by a difference along one random sign vector. */
NRXI_FN nrx_status nrxi_ct_gcv(nrxi_ct_search *s, double lambda, double *score)
{
    const nrx_ct_geometry *g = s->g;
    size_t m = nrx_ct_sino_size(g), i;
    int dtype = g->dtype;
    double norm, trace = 0, eps;
    nrx_rng r;
    nrx_status status = nrxi_ct_fit(s, lambda, &norm);
    if (status != NRX_OK) return status;
    eps = 0.1 * norm / sqrt((double)m) + 1e-3 * sqrt(nrxi_vec_dot(m, dtype, s->sino, s->sino) / (double)m);
    nrx_rng_seed(&r, s->how.seed, 7);
    for (i = 0; i < m; i++) nrxi_ct_set(s->probe, dtype, i, nrxi_ct_get(s->sino, dtype, i) + (nrx_rng_u32(&r) & 1 ? eps : -eps));
    status = nrxi_ct_search_solve(s, g, s->probe, lambda, s->other);
    if (status != NRX_OK) return status;
    nrxi_vec_lin(nrx_ct_image_size(g), dtype, 1, s->other, -1, s->image, s->other);
    status = nrx_ct_project(g, s->other, s->y);
    for (i = 0; i < m; i++) trace += nrxi_ct_get(s->y, dtype, i) * (nrxi_ct_get(s->probe, dtype, i) - nrxi_ct_get(s->sino, dtype, i)) / (eps * eps);
    trace = trace < 0 ? 0 : trace > 0.999 * (double)m ? 0.999 * (double)m : trace;
    *score = norm * norm / (((double)m - trace) * ((double)m - trace));
    return status;
}

NRXI_FN void nrxi_ct_trace(const nrxi_ct_search *s, int k, double lambda, double score)
{
    if (s->how.lambdas) s->how.lambdas[k] = lambda;
    if (s->how.scores) s->how.scores[k] = score;
}

NRXI_FN nrx_status nrxi_ct_bisect(nrxi_ct_search *s, double target, double *lambda)
{
    double lo = log(s->how.lambda_min), hi = log(s->how.lambda_max), norm;
    int k;
    for (k = 0; k < s->how.steps; k++) {
        double mid = 0.5 * (lo + hi);
        nrx_status status = nrxi_ct_fit(s, exp(mid), &norm);
        if (status != NRX_OK) return status;
        nrxi_ct_trace(s, k, exp(mid), norm);
        if (norm > target) hi = mid;
        else lo = mid;
        if (nrxi_progress(&s->g->env, (size_t)k + 1, (size_t)s->how.steps, exp(mid))) return nrxi_fail(&s->g->env, NRX_E_CANCELLED, "nrx_ct_choose_lambda: cancelled");
    }
    *lambda = exp(0.5 * (lo + hi));
    return NRX_OK;
}

/* The grid rules: least score; for the L-curve the point of largest curvature of three neighbours. */
NRXI_FN nrx_status nrxi_ct_scan(nrxi_ct_search *s, double *lambda)
{
    double a = log(s->how.lambda_min), b = log(s->how.lambda_max), best = HUGE_VAL, x[3] = {0, 0, 0}, y[3] = {0, 0, 0};
    int k, n = s->how.steps;
    for (k = 0; k < n; k++) {
        double l = exp(n > 1 ? a + (b - a) * k / (n - 1) : a), score = 0;
        nrx_status status = s->how.rule == NRX_CT_HELD_OUT ? nrxi_ct_held_out(s, l, &score) : s->how.rule == NRX_CT_GCV ? nrxi_ct_gcv(s, l, &score) : nrxi_ct_fit(s, l, &score);
        if (status != NRX_OK) return status;
        if (s->how.rule == NRX_CT_L_CURVE) { /* Menger curvature */
            x[0] = x[1]; x[1] = x[2]; x[2] = log(score > 0 ? score : 1e-300);
            y[0] = y[1]; y[1] = y[2]; y[2] = log(s->slope > 0 ? s->slope : 1e-300);
            score = 0;
            if (k >= 2) {
                double ax = x[1] - x[0], ay = y[1] - y[0], bx = x[2] - x[1], by = y[2] - y[1], la = hypot(ax, ay), lb = hypot(bx, by), lc = hypot(ax + bx, ay + by);
                if (la > 0 && lb > 0 && lc > 0) score = -2 * (ax * by - ay * bx) / (la * lb * lc); /* the corner turns left: more lambda, more residual, less R */
                if (score < best) { best = score; *lambda = exp(a + (b - a) * (k - 1) / (n - 1)); }
            }
        } else if (score < best) { best = score; *lambda = l; }
        nrxi_ct_trace(s, k, l, score);
        if (nrxi_progress(&s->g->env, (size_t)k + 1, (size_t)n, l)) return nrxi_fail(&s->g->env, NRX_E_CANCELLED, "nrx_ct_choose_lambda: cancelled");
    }
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_ct_search_defaults(nrxi_ct_search *s)
{
    const nrx_ct_geometry *g = s->g;
    size_t n = nrx_ct_image_size(g), i;
    double largest = 0;
    nrx_status status;
    if (s->how.steps == 0) s->how.steps = 7;
    if (s->how.folds == 0) s->how.folds = 4;
    if (s->how.lambda_min == 0 || s->how.lambda_max == 0) {
        status = nrx_ct_backproject(g, s->sino, s->image);
        if (status != NRX_OK) return status;
        for (i = 0; i < n; i++) { double v = fabs(nrxi_ct_get(s->image, g->dtype, i)); if (v > largest) largest = v; }
        if (s->how.lambda_min == 0) s->how.lambda_min = 1e-4 * largest / 8;
        if (s->how.lambda_max == 0) s->how.lambda_max = 0.3 * largest / 8;
    }
    if (s->how.rule < NRX_CT_HELD_OUT || s->how.rule > NRX_CT_GCV || s->how.steps < 1 || s->how.steps > 1000 || s->how.folds < 2 || s->how.folds > g->views
        || !(s->how.lambda_min > 0) || !(s->how.lambda_max >= s->how.lambda_min) || !nrxi_finite_f64(&s->how.lambda_max) || !(s->how.noise >= 0))
        return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_choose_lambda: rule %d, %d steps, %zu folds, lambda %g to %g", s->how.rule, s->how.steps, s->how.folds,
                         s->how.lambda_min, s->how.lambda_max);
    return NRX_OK;
}

NRX_DEF nrx_status nrx_ct_choose_lambda(const nrx_ct_geometry *g, const void *sino, const nrx_functional *R, const nrx_ct_solver *base,
                                        const nrx_ct_choice *how, double *lambda)
{
    nrxi_ct_search s;
    nrxi_ct_vectors v;
    void *block;
    nrx_status status;
    memset(&s, 0, sizeof s);
    s.g = g; s.sino = sino; s.R = R;
    if (base) s.base = *base;
    if (how) s.how = *how;
    s.base.warm_start = 0;
    if ((status = nrxi_ct_check_solver(g, sino, lambda, &s.base, "nrx_ct_choose_lambda")) != NRX_OK) return status;
    if (s.base.weights && s.how.rule != NRX_CT_HELD_OUT)
        return nrxi_fail(&g->env, NRX_E_UNSUPPORTED, "nrx_ct_choose_lambda: rule %d takes no weights, held-out views do", s.how.rule);
    block = nrxi_ct_vectors_new(g, 2, 2, &v);
    if (!block) return nrxi_fail(&g->env, NRX_E_NOMEM, "nrx_ct_choose_lambda: no memory for two images and two sinograms");
    s.image = nrxi_ct_take(&v, nrx_ct_image_size(g));
    s.other = nrxi_ct_take(&v, nrx_ct_image_size(g));
    s.y = nrxi_ct_take(&v, nrx_ct_sino_size(g));
    s.probe = nrxi_ct_take(&v, nrx_ct_sino_size(g));
    status = nrxi_ct_search_defaults(&s);
    if (status == NRX_OK && s.how.rule == NRX_CT_DISCREPANCY && s.how.noise == 0) status = nrx_ct_noise_level(g, sino, &s.how.noise);
    if (status == NRX_OK)
        status = s.how.rule == NRX_CT_DISCREPANCY ? nrxi_ct_bisect(&s, s.how.noise * sqrt((double)nrx_ct_sino_size(g)), lambda) : nrxi_ct_scan(&s, lambda);
    nrxi_free(&g->env, block);
    return status;
}

NRX_DEF nrx_status nrx_ct_choose_iterations(const nrx_ct_geometry *g, const void *sino, int most, int *iterations)
{
    nrxi_ct_search s;
    nrxi_ct_vectors v;
    void *block;
    nrx_ct_geometry used, out;
    nrx_ct_solver d;
    double best = HUGE_VAL, r;
    int k, step;
    nrx_status status;
    memset(&s, 0, sizeof s);
    memset(&d, 0, sizeof d);
    if ((status = nrxi_ct_check_solver(g, sino, iterations, &d, "nrx_ct_choose_iterations")) != NRX_OK) return status;
    if (most < 1 || g->views < 4) return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_choose_iterations: at most %d iterations of %zu views", most, g->views);
    block = nrxi_ct_vectors_new(g, 1, 2, &v);
    if (!block) return nrxi_fail(&g->env, NRX_E_NOMEM, "nrx_ct_choose_iterations: no memory for an image and two sinograms");
    s.image = nrxi_ct_take(&v, nrx_ct_image_size(g));
    s.y = nrxi_ct_take(&v, nrx_ct_sino_size(g));
    s.probe = nrxi_ct_take(&v, nrx_ct_sino_size(g));
    used = nrx_ct_geometry_subset(g, 0, 2, 0); /* every second view serves, half of the others test */
    out = nrx_ct_geometry_subset(g, 1, 4, 0);
    status = nrx_ct_sino_subset(g, sino, 0, 2, 0, s.y);
    if (status == NRX_OK) status = nrx_ct_sino_subset(g, sino, 1, 4, 0, s.probe);
    for (k = 1; k <= most && status == NRX_OK; k += step) {
        step = k < 10 ? 1 : k / 8;
        d.iterations = k;
        status = nrx_ct_cgls(&used, s.y, s.image, &d);
        if (status == NRX_OK) status = nrx_ct_residual(&out, s.image, s.probe, &r);
        if (status == NRX_OK && r < best) { best = r; *iterations = k; }
        else if (status == NRX_OK && r > 1.2 * best) break;
    }
    nrxi_free(&g->env, block);
    return status;
}

/* ==== phantoms ==== */

NRX_DEF void nrx_ct_shepp_logan(double radius, int modified, nrx_ct_ellipse *out)
{
    static const double table[10][8] = { /* original, modified, a, b, c, x, y, phi in degrees */
        {2.00, 1.0, .69, .92, .81, 0, 0, 0},        {-.98, -.8, .6624, .874, .78, 0, -.0184, 0},
        {-.02, -.2, .11, .31, .22, .22, 0, -18},    {-.02, -.2, .16, .41, .28, -.22, 0, 18},
        {.01, .1, .21, .25, .41, 0, .35, 0},        {.01, .1, .046, .046, .05, 0, .1, 0},
        {.01, .1, .046, .046, .05, 0, -.1, 0},      {.01, .1, .046, .023, .05, -.08, -.605, 0},
        {.01, .1, .023, .023, .02, 0, -.606, 0},    {.01, .1, .023, .046, .02, .06, -.605, 0}};
    int i;
    for (i = 0; i < 10; i++) {
        const double *t = table[i];
        memset(&out[i], 0, sizeof out[i]);
        out[i].value = t[modified ? 1 : 0];
        out[i].a = radius * t[2];
        out[i].b = radius * t[3];
        out[i].c = radius * t[4];
        out[i].x = radius * t[5];
        out[i].y = radius * t[6];
        out[i].phi = t[7] * NRX_PI / 180;
    }
}

NRX_DEF void nrx_ct_head(double radius, nrx_ct_ellipse *out)
{
    static const double table[14][6] = { /* x, y, a, b, phi in degrees, value */
        {0, 0, 9.6, 12, 0, 1.8},            {0, 0, 9, 11.4, 0, -.75},          {-4.7, 4.3, 1.79989, 1.79989, 0, .01}, {4.7, 4.3, 1.79989, 1.79989, 0, .01},
        {-1.08, -9, .4, .4, 0, .0025},      {1.08, -9, .4, .4, 0, -.0025},     {0, 8.4, 1.8, 3, 0, -1.05},            {1.9, 5.4, .41633, 1.17425, -31.07698, .75},
        {-1.9, 5.4, .41633, 1.17425, 31.07698, .75}, {-4.3, 6.8, 1.8, .24, -30, .75}, {4.3, 6.8, 1.8, .24, 30, .75}, {0, -3.6, 1.8, 3.6, 0, -.005},
        {6.39395, -6.39395, 1.2, .42, 58.1, .005}, {7, 0, 1.8, 1.2, 0, .75}};
    double scale = radius / 12.8;
    int i;
    memset(out, 0, NRX_CT_HEAD * sizeof *out);
    for (i = 0; i < NRX_CT_HEAD; i++) {
        double cell[6] = {0, 0, .15, .15, 0, -1.8}; /* in two rows in the petrous bone */
        const double *t = i < 14 ? table[i] : cell;
        cell[0] = 6.2 + 0.4 * ((i - 14) % 5);
        cell[1] = i < 19 ? 0.3 : -0.3;
        out[i].x = scale * t[0];
        out[i].y = scale * t[1];
        out[i].a = scale * t[2];
        out[i].b = scale * t[3];
        out[i].phi = t[4] * NRX_PI / 180;
        out[i].value = t[5];
    }
}

NRX_DEF nrx_status nrx_ct_foam(double radius, size_t voids, int dimensions, uint64_t seed, nrx_ct_ellipse *out)
{
    nrx_rng r;
    size_t i, k;
    int trial;
    if (!out || !(radius > 0 && radius < 1e12) || (dimensions != 2 && dimensions != 3))
        return nrxi_fail(NULL, NRX_E_ARG, "nrx_ct_foam: radius %g, %d dimensions, expected 2 or 3", radius, dimensions);
    nrx_rng_seed(&r, seed, 0);
    memset(out, 0, sizeof *out);
    out->a = out->b = radius;
    out->value = 1;
    for (i = 1; i <= voids; i++) {
        nrx_ct_ellipse *e = &out[i];
        memset(e, 0, sizeof *e);
        e->value = -1;
        for (trial = 0; trial < 64 || !(e->a > 0); trial++) {
            double x = radius * (2 * nrx_rng_uniform(&r) - 1), y = radius * (2 * nrx_rng_uniform(&r) - 1), z = 0, room = radius - sqrt(x * x + y * y);
            if (dimensions == 3) z = radius * (2 * nrx_rng_uniform(&r) - 1);
            if (room > 0.2 * radius) room = 0.2 * radius;
            for (k = 1; k < i && room > e->a; k++) {
                double dx = x - out[k].x, dy = y - out[k].y, dz = z - out[k].z, d = sqrt(dx * dx + dy * dy + dz * dz) - out[k].a;
                if (d < room) room = d;
            }
            if (room > e->a) { e->a = room; e->x = x; e->y = y; e->z = z; }
            if (trial > 1000000) return nrxi_fail(NULL, NRX_E_RANGE, "nrx_ct_foam: no room left for void %zu", i);
        }
        e->b = e->a;
        e->c = dimensions == 3 ? e->a : 0;
    }
    return NRX_OK;
}

/* Half the extent of the smaller side of the image: the radius of the disc that fits. */
NRXI_FN double nrxi_ct_disc_radius(const nrx_ct_geometry *g)
{
    nrxi_ct_grid q = nrxi_ct_grid_of(g);
    double x = 0.5 * q.hx * (double)g->cols, y = 0.5 * q.hy * (double)g->rows;
    return x < y ? x : y;
}

NRXI_FN nrx_status nrxi_ct_check_ellipses(const nrx_ct_geometry *g, const nrx_ct_ellipse *e, size_t count, const char *who)
{
    size_t i;
    nrx_status status = nrxi_ct_check(g, who);
    if (status != NRX_OK) return status;
    if (!e && count) return nrxi_fail(&g->env, NRX_E_ARG, "%s: ellipses are NULL", who);
    for (i = 0; i < count; i++)
        if (!nrxi_all_finite(&e[i].x, 8, NRX_F64) || !(e[i].a > 0) || !(e[i].b > 0) || e[i].c < 0)
            return nrxi_fail(&g->env, NRX_E_ARG, "%s: ellipse %zu has semi-axes %g, %g, %g", who, i, e[i].a, e[i].b, e[i].c);
    return NRX_OK;
}

/* The interval of x in which an ellipse, scaled by k about its centre, meets the line at height y; 0 when it does not. */
NRXI_FN int nrxi_ct_chord(const nrx_ct_ellipse *e, double k, double y, double *x0, double *x1)
{
    double c, s, dy = y - e->y, a = e->a * k, b = e->b * k, qa, qb, qc, disc;
    nrxi_ct_cos_sin(e->phi, &c, &s);
    /* ((x c + dy s)/a)^2 + ((dy c - x s)/b)^2 = 1 */
    qa = c * c / (a * a) + s * s / (b * b);
    qb = dy * c * s * (1 / (a * a) - 1 / (b * b));
    qc = dy * dy * (s * s / (a * a) + c * c / (b * b)) - 1;
    disc = qb * qb - qa * qc;
    if (!(disc > 0)) return 0;
    disc = sqrt(disc);
    *x0 = e->x + (-qb - disc) / qa;
    *x1 = e->x + (-qb + disc) / qa;
    return 1;
}

/* Adds value times the covered part of each pixel for the interval x0 .. x1 of a row. */
NRXI_FN void nrxi_ct_cover_row(const nrxi_ct_grid *q, size_t cols, double x0, double x1, double value, double *row)
{
    double a = (x0 - q->x0) / q->hx + 0.5, b = (x1 - q->x0) / q->hx + 0.5; /* in pixel edges */
    size_t i, j;
    if (a < 0) a = 0;
    if (b > (double)cols) b = (double)cols;
    if (!(b > a)) return;
    i = (size_t)a;
    j = (size_t)b;
    if (i == j) { row[i] += value * (b - a); return; }
    row[i] += value * ((double)(i + 1) - a);
    for (i++; i < j; i++) row[i] += value;
    if (j < cols) row[j] += value * (b - (double)j);
}

NRXI_FN nrx_status nrxi_ct_rasterise(const nrx_ct_geometry *g, const nrx_ct_ellipse *e, size_t count, int samples, void *image, const char *who)
{
    nrxi_ct_grid q = nrxi_ct_grid_of(g);
    double *row = (double *)nrxi_alloc(&g->env, g->cols, sizeof *row);
    size_t slices = nrxi_ct_slices(g), z, r, i, c;
    int s, sz, depth = slices > 1 ? samples : 1;
    if (!row) return nrxi_fail(&g->env, NRX_E_NOMEM, "%s: no memory for a row", who);
    for (z = 0; z < slices; z++)
        for (r = 0; r < g->rows; r++) {
            for (c = 0; c < g->cols; c++) row[c] = 0;
            for (i = 0; i < count; i++)
                for (sz = 0; sz < depth; sz++) {
                    double zz = slices > 1 ? q.z0 + ((double)z + ((double)sz + 0.5) / depth - 0.5) * q.hz - e[i].z : 0, k = 1, x0, x1;
                    if (slices > 1 && e[i].c > 0) {
                        k = 1 - zz * zz / (e[i].c * e[i].c);
                        if (k <= 0) continue;
                        k = sqrt(k);
                    }
                    for (s = 0; s < samples; s++)
                        if (nrxi_ct_chord(&e[i], k, q.y0 - ((double)r + ((double)s + 0.5) / samples - 0.5) * q.hy, &x0, &x1))
                            nrxi_ct_cover_row(&q, g->cols, x0, x1, e[i].value / (samples * depth), row);
                }
            for (c = 0; c < g->cols; c++) nrxi_ct_set(image, g->dtype, (z * g->rows + r) * g->cols + c, row[c]);
        }
    nrxi_free(&g->env, row);
    nrxi_ct_apply_mask(g, image);
    return NRX_OK;
}

NRX_DEF nrx_status nrx_ct_phantom_ellipses(const nrx_ct_geometry *g, const nrx_ct_ellipse *e, size_t count, int samples, void *image)
{
    nrx_status status = nrxi_ct_check_ellipses(g, e, count, "nrx_ct_phantom_ellipses");
    if (status != NRX_OK) return status;
    if (!image || samples < 0 || samples > 4096) return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_phantom_ellipses: image NULL or %d samples", samples);
    return nrxi_ct_rasterise(g, e, count, samples ? samples : nrxi_ct_is_3d(g) ? 4 : 16, image, "nrx_ct_phantom_ellipses");
}

NRX_DEF nrx_status nrx_ct_phantom_shepp_logan(const nrx_ct_geometry *g, void *image)
{
    nrx_ct_ellipse e[10];
    int i;
    nrx_status status = nrxi_ct_check(g, "nrx_ct_phantom_shepp_logan");
    if (status != NRX_OK) return status;
    nrx_ct_shepp_logan(nrxi_ct_disc_radius(g), 1, e);
    for (i = 0; i < 10; i++) { e[i].x += g->centre_x; e[i].y += g->centre_y; e[i].z += g->centre_z; }
    return nrx_ct_phantom_ellipses(g, e, 10, 0, image);
}

NRXI_FN double nrxi_ct_between(nrx_rng *r, double lo, double hi) { return lo + (hi - lo) * nrx_rng_uniform(r); }

NRXI_FN double nrxi_ct_exponential(nrx_rng *r) { return -nrxi_rng_log(1 - nrx_rng_uniform(r)); }

NRX_DEF nrx_status nrx_ct_phantom_random_ellipses(const nrx_ct_geometry *g, uint64_t seed, uint64_t index, void *image)
{
    enum { MOST = 160 }; /* Poisson(50) exceeds it with probability 1e-35 */
    nrx_ct_ellipse *e;
    nrx_rng r;
    double radius;
    size_t i, n;
    nrx_status status = nrxi_ct_check(g, "nrx_ct_phantom_random_ellipses");
    if (status != NRX_OK) return status;
    if (!image) return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_phantom_random_ellipses: image is NULL");
    e = (nrx_ct_ellipse *)nrxi_calloc(&g->env, MOST, sizeof *e);
    if (!e) return nrxi_fail(&g->env, NRX_E_NOMEM, "nrx_ct_phantom_random_ellipses: no memory");
    nrx_rng_seed(&r, seed, index);
    radius = nrxi_ct_disc_radius(g);
    n = (size_t)nrx_ct_poisson(&r, 50);
    if (n > MOST) n = MOST;
    for (i = 0; i < n; i++) {
        e[i].value = (nrx_rng_uniform(&r) - 0.5) * 0.4 * nrxi_ct_exponential(&r);
        e[i].a = radius * (0.2 * nrxi_ct_exponential(&r) + 1e-6);
        e[i].b = radius * (0.2 * nrxi_ct_exponential(&r) + 1e-6);
        e[i].x = g->centre_x + radius * nrxi_ct_between(&r, -1, 1);
        e[i].y = g->centre_y + radius * nrxi_ct_between(&r, -1, 1);
        e[i].phi = 2 * NRX_PI * nrx_rng_uniform(&r);
    }
    status = nrxi_ct_rasterise(g, e, n, 4, image, "nrx_ct_phantom_random_ellipses");
    nrxi_free(&g->env, e);
    return status;
}

/* Part of pixel (x, y) inside an ellipse, softened over about one pixel. */
NRXI_FN double nrxi_ct_soft_inside(const nrx_ct_ellipse *e, double x, double y, double h)
{
    double c, s, p, q, d;
    nrxi_ct_cos_sin(e->phi, &c, &s);
    p = ((x - e->x) * c + (y - e->y) * s) / e->a;
    q = ((y - e->y) * c - (x - e->x) * s) / e->b;
    d = (1 - sqrt(p * p + q * q)) * (e->a < e->b ? e->a : e->b) / h + 0.5;
    return d < 0 ? 0 : d > 1 ? 1 : d;
}

NRX_DEF nrx_status nrx_ct_phantom_textured(const nrx_ct_geometry *g, uint64_t seed, uint64_t index, double texture, void *image)
{
    nrx_ct_ellipse body, part[8];
    double fx[6], fy[6], phase[6], amplitude[6], slope[2], level, radius;
    nrxi_ct_grid q;
    nrx_rng r;
    size_t parts, row, col;
    int i;
    nrx_status status = nrxi_ct_check(g, "nrx_ct_phantom_textured");
    if (status != NRX_OK) return status;
    if (!image || nrxi_ct_is_3d(g) || !(texture >= 0 && texture <= 1))
        return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_phantom_textured: needs a two-dimensional image and 0 <= texture <= 1 (texture %g)", texture);
    if (texture == 0) texture = 0.04;
    nrx_rng_seed(&r, seed, index);
    q = nrxi_ct_grid_of(g);
    radius = nrxi_ct_disc_radius(g);
    memset(&body, 0, sizeof body);
    memset(part, 0, sizeof part);
    body.a = radius * nrxi_ct_between(&r, 0.65, 0.92);
    body.b = radius * nrxi_ct_between(&r, 0.65, 0.92);
    body.phi = NRX_PI * nrx_rng_uniform(&r);
    body.x = g->centre_x + radius * nrxi_ct_between(&r, -0.05, 0.05);
    body.y = g->centre_y + radius * nrxi_ct_between(&r, -0.05, 0.05);
    level = nrxi_ct_between(&r, 0.35, 0.6);
    slope[0] = nrxi_ct_between(&r, -0.2, 0.2);
    slope[1] = nrxi_ct_between(&r, -0.2, 0.2);
    for (i = 0; i < 6; i++) {
        double t = 2 * NRX_PI * nrx_rng_uniform(&r), w = nrxi_ct_between(&r, 0.35, 1.45), c, s;
        nrxi_ct_cos_sin(t, &c, &s);
        fx[i] = w * c;
        fy[i] = w * s;
        phase[i] = 2 * NRX_PI * nrx_rng_uniform(&r);
        amplitude[i] = texture * nrxi_ct_between(&r, 0.6, 1.4);
    }
    parts = 4 + (size_t)nrx_rng_below(&r, 5);
    for (i = 0; i < (int)parts; i++) {
        part[i].a = radius * nrxi_ct_between(&r, 0.06, 0.3);
        part[i].b = radius * nrxi_ct_between(&r, 0.06, 0.3);
        part[i].phi = NRX_PI * nrx_rng_uniform(&r);
        part[i].x = body.x + radius * nrxi_ct_between(&r, -0.55, 0.55);
        part[i].y = body.y + radius * nrxi_ct_between(&r, -0.55, 0.55);
        part[i].value = nrxi_ct_between(&r, 0.1, 0.35) * (nrx_rng_below(&r, 2) ? 1 : -1);
    }
    for (row = 0; row < g->rows; row++)
        for (col = 0; col < g->cols; col++) {
            double x = q.x0 + (double)col * q.hx, y = q.y0 - (double)row * q.hy, v, c, s;
            double inside = nrxi_ct_soft_inside(&body, x, y, q.hx);
            v = level + slope[0] * (x - body.x) / radius + slope[1] * (y - body.y) / radius;
            for (i = 0; i < 6; i++) {
                nrxi_ct_cos_sin(fx[i] * (double)col + fy[i] * (double)row + phase[i], &c, &s);
                v += amplitude[i] * c;
            }
            for (i = 0; i < (int)parts; i++) v += part[i].value * nrxi_ct_soft_inside(&part[i], x, y, q.hx);
            v *= inside;
            nrxi_ct_set(image, g->dtype, row * g->cols + col, v < 0 ? 0 : v > 1 ? 1 : v);
        }
    nrxi_ct_apply_mask(g, image);
    return NRX_OK;
}

/* -- exact projections -- */

/* Chord of the ray through point p along d with the ellipse or ellipsoid: in coordinates where it is the unit sphere, the chord of
   the line times the ratio of lengths. Of a divergent ray only the part ahead of the source counts. */
NRXI_FN double nrxi_ct_ellipse_line(const nrx_ct_ellipse *e, double c, double s, const double p[3], const double d[3], int divergent)
{
    double x = p[0] - e->x, y = p[1] - e->y, w[3], v[3], vv, wv, disc = 1;
    int k;
    w[0] = (x * c + y * s) / e->a;
    w[1] = (y * c - x * s) / e->b;
    w[2] = e->c > 0 ? (p[2] - e->z) / e->c : 0;
    v[0] = (d[0] * c + d[1] * s) / e->a;
    v[1] = (d[1] * c - d[0] * s) / e->b;
    v[2] = e->c > 0 ? d[2] / e->c : 0;
    vv = v[0] * v[0] + v[1] * v[1] + v[2] * v[2];
    wv = w[0] * v[0] + w[1] * v[1] + w[2] * v[2];
    if (!(vv > 0)) return 0;
    for (k = 0; k < 3; k++) { /* squared distance by the foot of the perpendicular, which does not cancel for far sources */
        double foot = w[k] - wv / vv * v[k];
        disc -= foot * foot;
    }
    if (disc <= 0 || (divergent && sqrt(disc / vv) <= wv / vv)) return 0;
    return 2 * e->value * sqrt(disc / vv) * sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
}

/* Mean over the bin between s0 and s1 for parallel rays at angle t (ellipse in the plane). */
NRXI_FN double nrxi_ct_ellipse_bin(const nrx_ct_ellipse *e, const double dir[3], double s0, double s1)
{
    double n = sqrt(dir[0] * dir[0] + dir[1] * dir[1]), ux = dir[1] / n, uy = -dir[0] / n, c, s, ca, sa, r2, r, q[2], f[2];
    double centre = e->x * ux + e->y * uy;
    int k;
    nrxi_ct_cos_sin(e->phi, &c, &s);
    ca = ux * c + uy * s;
    sa = uy * c - ux * s;
    r2 = e->a * e->a * ca * ca + e->b * e->b * sa * sa;
    r = sqrt(r2);
    q[0] = s0 - centre;
    q[1] = s1 - centre;
    for (k = 0; k < 2; k++) {
        double z = q[k] / r;
        if (z <= -1) f[k] = -0.25 * NRX_PI * r2;
        else if (z >= 1) f[k] = 0.25 * NRX_PI * r2;
        else f[k] = 0.5 * r2 * (z * sqrt(1 - z * z) + asin(z));
    }
    return 2 * e->value * e->a * e->b / r2 * (f[1] - f[0]) / (s1 - s0);
}

typedef struct nrxi_ct_exact { const nrx_ct_geometry *g; const nrx_ct_ellipse *e; size_t count; int sub; void *sino; } nrxi_ct_exact;

NRXI_FN double nrxi_ct_exact_bin(const nrxi_ct_exact *p, const nrxi_ct_frame *f, double j, double i, double *cs)
{
    double point[3], dir[3], sum = 0;
    size_t k;
    int m, n = p->sub > 0 ? p->sub : 16;
    if (p->sub < 0 && !f->divergent && !nrxi_ct_is_3d(p->g)) {
        double s0, s1, len;
        nrxi_ct_ray(f, j - 0.5, i, point, dir);
        len = sqrt(dir[0] * dir[0] + dir[1] * dir[1]);
        s0 = (point[0] * dir[1] - point[1] * dir[0]) / len;
        nrxi_ct_ray(f, j + 0.5, i, point, dir);
        s1 = (point[0] * dir[1] - point[1] * dir[0]) / len;
        for (k = 0; k < p->count; k++) sum += nrxi_ct_ellipse_bin(&p->e[k], dir, s0, s1);
        return sum;
    }
    for (m = 0; m < n; m++) {
        nrxi_ct_ray(f, j + ((double)m + 0.5) / n - 0.5, i, point, dir);
        if (!nrxi_ct_is_3d(p->g)) point[2] = dir[2] = 0;
        for (k = 0; k < p->count; k++) {
            nrx_ct_ellipse e = p->e[k];
            if (!nrxi_ct_is_3d(p->g)) e.c = 0;
            sum += nrxi_ct_ellipse_line(&e, cs[2 * k], cs[2 * k + 1], point, dir, f->divergent);
        }
    }
    return sum / n;
}

NRX_DEF nrx_status nrx_ct_ellipses_project(const nrx_ct_geometry *g, const nrx_ct_ellipse *e, size_t count, int sub_rays, void *sino)
{
    nrxi_ct_exact p;
    double *cs;
    size_t view, i, j, at = 0;
    nrx_status status = nrxi_ct_check_ellipses(g, e, count, "nrx_ct_ellipses_project");
    if (status != NRX_OK) return status;
    if (!sino || sub_rays < -1 || sub_rays > 4096) return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_ellipses_project: sinogram NULL or %d sub-rays", sub_rays);
    cs = (double *)nrxi_alloc(&g->env, count ? count : 1, 2 * sizeof *cs);
    if (!cs) return nrxi_fail(&g->env, NRX_E_NOMEM, "nrx_ct_ellipses_project: no memory for %zu ellipses", count);
    for (i = 0; i < count; i++) nrxi_ct_cos_sin(e[i].phi, &cs[2 * i], &cs[2 * i + 1]);
    p.g = g; p.e = e; p.count = count; p.sub = sub_rays ? sub_rays : 1; p.sino = sino;
    for (view = 0; view < g->views; view++) {
        nrxi_ct_frame f = nrxi_ct_frame_of(g, view);
        for (i = 0; i < nrxi_ct_bin_rows(g); i++)
            for (j = 0; j < g->bins; j++) nrxi_ct_set(sino, g->dtype, at++, nrxi_ct_exact_bin(&p, &f, (double)j, (double)i, cs));
    }
    nrxi_free(&g->env, cs);
    return NRX_OK;
}

/* ==== noise ==== */

/* log(k!) for the sampler: a table, then Stirling's series, error below 1e-12. */
NRXI_FN double nrxi_ct_log_factorial(double k)
{
    static const double small[10] = {0, 0, 0.69314718055994531, 1.7917594692280550, 3.1780538303479458, 4.7874917427820458,
                                     6.5792512120101012, 8.5251613610654147, 10.604602902745251, 12.801827480081469};
    double x = k + 1, z;
    if (k < 10) return small[(int)k];
    z = 1 / (x * x);
    return (x - 0.5) * nrxi_rng_log(1 / x) * -1 - x + 0.91893853320467274178
         + (1.0 / 12 - z * (1.0 / 360 - z * (1.0 / 1260 - z / 1680))) / x;
}

/* Means below 10: product of uniforms (Knuth); else transformed rejection PTRS (Hoermann 1993). */
NRX_DEF double nrx_ct_poisson(nrx_rng *r, double mean)
{
    double b, a, alpha, vr;
    if (!(mean > 0)) return 0;
    if (mean > 1e15) return mean;
    if (mean < 10) {
        double limit = exp(-mean), product = nrx_rng_uniform(r);
        int k = 0;
        while (product > limit) { product *= nrx_rng_uniform(r); k++; }
        return k;
    }
    b = 0.931 + 2.53 * sqrt(mean);
    a = -0.059 + 0.02483 * b;
    alpha = 1.1239 + 1.1328 / (b - 3.4);
    vr = 0.9277 - 3.6224 / (b - 2);
    for (;;) {
        double u = nrx_rng_uniform(r) - 0.5, v = nrx_rng_uniform(r), us = 0.5 - fabs(u), k = floor((2 * a / us + b) * u + mean + 0.43);
        if (us >= 0.07 && v <= vr) return k;
        if (k < 0 || (us < 0.013 && v > us)) continue;
        if (log(v) + log(alpha) - log(a / (us * us) + b) <= k * log(mean) - mean - nrxi_ct_log_factorial(k)) return k;
    }
}

NRXI_FN nrx_status nrxi_ct_check_array(size_t n, int dtype, const void *x, const char *who)
{
    if (!x || n == 0) return nrxi_fail(NULL, NRX_E_ARG, "%s: array is NULL or empty", who);
    if (dtype != NRX_F32 && dtype != NRX_F64) return nrxi_fail(NULL, NRX_E_ARG, "%s: dtype %d, expected NRX_F32 or NRX_F64", who, dtype);
    return NRX_OK;
}

/* Blurs one row of counts with a Gaussian cut at four standard deviations; edges repeat. `copy` holds bins values. */
NRXI_FN void nrxi_ct_blur_row(size_t bins, int dtype, void *row, double sigma, double *copy)
{
    long reach = (long)(4 * sigma + 1), k, j, n = (long)bins;
    for (j = 0; j < n; j++) copy[j] = nrxi_ct_get(row, dtype, (size_t)j);
    for (j = 0; j < n; j++) {
        double sum = 0, total = 0;
        for (k = -reach; k <= reach; k++) {
            double w = exp(-0.5 * (double)(k * k) / (sigma * sigma));
            long at = j + k < 0 ? 0 : j + k >= n ? n - 1 : j + k;
            sum += w * copy[at];
            total += w;
        }
        nrxi_ct_set(row, dtype, (size_t)j, sum / total);
    }
}

NRX_DEF nrx_status nrx_ct_add_poisson_noise(size_t n, size_t bins, int dtype, void *sino, const nrx_ct_noise *noise)
{
    nrx_rng r, e;
    size_t i;
    nrx_status status = nrxi_ct_check_array(n, dtype, sino, "nrx_ct_add_poisson_noise");
    if (status != NRX_OK) return status;
    if (!noise || !(noise->photons > 0) || noise->photons > 1e15 || !(noise->electronic >= 0) || !(noise->cross_talk >= 0) || noise->cross_talk > 1e3
        || !(noise->background >= 0))
        return nrxi_fail(NULL, NRX_E_ARG, "nrx_ct_add_poisson_noise: photons %g, expected a positive count, and no negative noise", noise ? noise->photons : 0.0);
    if (noise->cross_talk > 0 && (bins == 0 || n % bins)) return nrxi_fail(NULL, NRX_E_SHAPE, "nrx_ct_add_poisson_noise: %zu values are no rows of %zu bins", n, bins);
    if (!nrxi_all_finite(sino, n, dtype)) return nrxi_fail(NULL, NRX_E_NUMERIC, "nrx_ct_add_poisson_noise: the sinogram holds a NaN or an infinity");
    nrx_rng_seed(&r, noise->seed, 0);
    for (i = 0; i < n; i++)
        nrxi_ct_set(sino, dtype, i, nrx_ct_poisson(&r, noise->photons * exp(-nrxi_ct_get(sino, dtype, i)) + noise->background));
    if (noise->cross_talk > 0) {
        double *copy = (double *)nrxi_alloc(NULL, bins, sizeof *copy);
        if (!copy) return nrxi_fail(NULL, NRX_E_NOMEM, "nrx_ct_add_poisson_noise: no memory for a row");
        for (i = 0; i < n; i += bins) nrxi_ct_blur_row(bins, dtype, (unsigned char *)sino + i * nrxi_dtype_size(dtype), noise->cross_talk, copy);
        nrxi_free(NULL, copy);
    }
    nrx_rng_seed(&e, noise->seed, 1);
    for (i = 0; i < n; i++) {
        double c = nrxi_ct_get(sino, dtype, i) - noise->background;
        if (noise->electronic > 0) c += noise->electronic * nrx_rng_normal(&e);
        nrxi_ct_set(sino, dtype, i, -log((c > 0.5 ? c : 0.5) / noise->photons));
    }
    return NRX_OK;
}

NRX_DEF nrx_status nrx_ct_add_gaussian_noise(size_t n, int dtype, void *sino, double sigma, int relative, uint64_t seed)
{
    nrx_rng r;
    size_t i;
    double mean = 0;
    nrx_status status = nrxi_ct_check_array(n, dtype, sino, "nrx_ct_add_gaussian_noise");
    if (status != NRX_OK) return status;
    if (!(sigma >= 0) || !nrxi_finite_f64(&sigma)) return nrxi_fail(NULL, NRX_E_ARG, "nrx_ct_add_gaussian_noise: sigma %g", sigma);
    for (i = 0; i < n; i++) mean += fabs(nrxi_ct_get(sino, dtype, i)) / (double)n;
    if (relative) sigma *= mean;
    nrx_rng_seed(&r, seed, 2);
    for (i = 0; i < n; i++) nrxi_ct_set(sino, dtype, i, nrxi_ct_get(sino, dtype, i) + sigma * nrx_rng_normal(&r));
    return NRX_OK;
}

/* ==== metrics ==== */

NRXI_FN double nrxi_ct_range(size_t n, int dtype, const void *x, const unsigned char *mask)
{
    double lo = HUGE_VAL, hi = -HUGE_VAL;
    size_t i;
    for (i = 0; i < n; i++) {
        double v = nrxi_ct_get(x, dtype, i);
        if (mask && !mask[i]) continue;
        if (v < lo) lo = v;
        if (v > hi) hi = v;
    }
    return hi > lo ? hi - lo : 0;
}

/* Sums of (x - r)^2 and r^2 over the mask, and its size. */
NRXI_FN void nrxi_ct_square_sums(size_t n, int dtype, const void *x, const void *r, const unsigned char *mask, double *error, double *power, size_t *count)
{
    size_t i, k;
    *error = *power = 0;
    *count = 0;
    for (i = 0; i < n; i = k) {
        double e = 0, p = 0;
        for (k = i; k < n && k < i + 128; k++) {
            double a = nrxi_ct_get(x, dtype, k), b = nrxi_ct_get(r, dtype, k);
            if (mask && !mask[k]) continue;
            e += (a - b) * (a - b);
            p += b * b;
            ++*count;
        }
        *error += e;
        *power += p;
    }
}

NRX_DEF nrx_status nrx_ct_psnr(size_t n, int dtype, const void *image, const void *reference, double range, const unsigned char *mask, double *psnr)
{
    double error, power;
    size_t count;
    nrx_status status = nrxi_ct_check_array(n, dtype, image, "nrx_ct_psnr");
    if (status == NRX_OK) status = nrxi_ct_check_array(n, dtype, reference, "nrx_ct_psnr");
    if (status != NRX_OK) return status;
    if (!psnr || !(range >= 0)) return nrxi_fail(NULL, NRX_E_ARG, "nrx_ct_psnr: range %g, or result NULL", range);
    nrxi_ct_square_sums(n, dtype, image, reference, mask, &error, &power, &count);
    if (range == 0) range = nrxi_ct_range(n, dtype, reference, mask);
    if (count == 0 || range == 0 || !nrxi_finite_f64(&error))
        return nrxi_fail(NULL, NRX_E_NUMERIC, "nrx_ct_psnr: %zu pixels, range %g: no ratio", count, range);
    *psnr = error > 0 ? 10 * log10(range * range * (double)count / error) : HUGE_VAL;
    return NRX_OK;
}

NRX_DEF nrx_status nrx_ct_nrmse(size_t n, int dtype, const void *image, const void *reference, const unsigned char *mask, double *nrmse)
{
    double error, power;
    size_t count;
    nrx_status status = nrxi_ct_check_array(n, dtype, image, "nrx_ct_nrmse");
    if (status == NRX_OK) status = nrxi_ct_check_array(n, dtype, reference, "nrx_ct_nrmse");
    if (status != NRX_OK) return status;
    if (!nrmse) return nrxi_fail(NULL, NRX_E_ARG, "nrx_ct_nrmse: result is NULL");
    nrxi_ct_square_sums(n, dtype, image, reference, mask, &error, &power, &count);
    if (!(power > 0) || !nrxi_finite_f64(&error)) return nrxi_fail(NULL, NRX_E_NUMERIC, "nrx_ct_nrmse: the reference is zero, or something is not finite");
    *nrmse = sqrt(error / power);
    return NRX_OK;
}

/* Windowed sums of x, y, xx, yy, xy of one row of windows: vertical pass into five rows, then horizontal. */
NRXI_FN void nrxi_ct_ssim_row(size_t cols, int dtype, const void *x, const void *y, size_t row, int size, const double *w, double *v, double *out)
{
    size_t c, n = cols;
    int k, m;
    for (c = 0; c < 5 * n; c++) v[c] = 0;
    for (k = 0; k < size; k++)
        for (c = 0; c < n; c++) {
            double a = nrxi_ct_get(x, dtype, (row + (size_t)k) * cols + c), b = nrxi_ct_get(y, dtype, (row + (size_t)k) * cols + c);
            v[c] += w[k] * a;
            v[n + c] += w[k] * b;
            v[2 * n + c] += w[k] * a * a;
            v[3 * n + c] += w[k] * b * b;
            v[4 * n + c] += w[k] * a * b;
        }
    for (c = 0; c + (size_t)size <= n; c++)
        for (m = 0; m < 5; m++) {
            double sum = 0;
            for (k = 0; k < size; k++) sum += w[k] * v[(size_t)m * n + c + (size_t)k];
            out[(size_t)m * n + c] = sum;
        }
}

NRX_DEF nrx_status nrx_ct_ssim(size_t rows, size_t cols, int dtype, const void *image, const void *reference, double range, int variant,
                               const unsigned char *mask, double *ssim)
{
    double w[11], total = 0, c1, c2, factor, *work;
    int size = variant == NRX_CT_SSIM_UNIFORM ? 7 : 11, k;
    size_t n, r, c, count = 0;
    nrx_status status;
    if (!nrxi_mul_ok(rows, cols, &n)) return nrxi_fail(NULL, NRX_E_RANGE, "nrx_ct_ssim: image %zux%zu", rows, cols);
    if ((status = nrxi_ct_check_array(n, dtype, image, "nrx_ct_ssim")) != NRX_OK) return status;
    if ((status = nrxi_ct_check_array(n, dtype, reference, "nrx_ct_ssim")) != NRX_OK) return status;
    if (!ssim || !(range >= 0) || variant < 0 || variant > 1) return nrxi_fail(NULL, NRX_E_ARG, "nrx_ct_ssim: range %g, variant %d, or result NULL", range, variant);
    if (rows < (size_t)size || cols < (size_t)size)
        return nrxi_fail(NULL, NRX_E_SHAPE, "nrx_ct_ssim: image %zux%zu, the window is %dx%d", rows, cols, size, size);
    if (!nrxi_all_finite(image, n, dtype) || !nrxi_all_finite(reference, n, dtype)) return nrxi_fail(NULL, NRX_E_NUMERIC, "nrx_ct_ssim: an image holds a NaN or an infinity");
    if (range == 0) range = nrxi_ct_range(n, dtype, reference, NULL);
    if (range == 0) return nrxi_fail(NULL, NRX_E_NUMERIC, "nrx_ct_ssim: the reference is constant, give a range");
    for (k = 0; k < size; k++) total += w[k] = size == 7 ? 1 : exp(-0.5 * (k - 5) * (k - 5) / 2.25);
    for (k = 0; k < size; k++) w[k] /= total;
    work = (double *)nrxi_alloc(NULL, 10 * cols, sizeof *work);
    if (!work) return nrxi_fail(NULL, NRX_E_NOMEM, "nrx_ct_ssim: no memory for a row");
    c1 = 0.0001 * range * range;
    c2 = 0.0009 * range * range;
    factor = size == 7 ? 49.0 / 48 : 1;
    total = 0;
    for (r = 0; r + (size_t)size <= rows; r++) {
        const double *s = work + 5 * cols;
        nrxi_ct_ssim_row(cols, dtype, image, reference, r, size, w, work, work + 5 * cols);
        for (c = 0; c + (size_t)size <= cols; c++) {
            double ux = s[c], uy = s[cols + c], vx = factor * (s[2 * cols + c] - ux * ux), vy = factor * (s[3 * cols + c] - uy * uy);
            double vxy = factor * (s[4 * cols + c] - ux * uy);
            if (mask && !mask[(r + (size_t)size / 2) * cols + c + (size_t)size / 2]) continue;
            total += (2 * ux * uy + c1) * (2 * vxy + c2) / ((ux * ux + uy * uy + c1) * (vx + vy + c2));
            count++;
        }
    }
    nrxi_free(NULL, work);
    if (count == 0) return nrxi_fail(NULL, NRX_E_ARG, "nrx_ct_ssim: the mask leaves no pixel");
    *ssim = total / (double)count;
    return NRX_OK;
}

/* ==== calibration ==== */

/* Derivatives of a ray's point and direction by each parameter, two-dimensional. */
typedef struct nrxi_ct_ray_slopes { double p[NRX_CT_PARAMETERS][2], d[NRX_CT_PARAMETERS][2]; } nrxi_ct_ray_slopes;

/* u' = e and e' = -u when the angle grows; source, detector centre and bin step are combinations of u and e. */
NRXI_FN void nrxi_ct_ray_slopes_of(const nrx_ct_geometry *g, const nrxi_ct_frame *f, double t, double j, nrxi_ct_ray_slopes *s)
{
    double c, sn, ct, st, u[2], e[2], source[NRX_CT_PARAMETERS][2], bin[NRX_CT_PARAMETERS][2];
    int k, q;
    nrxi_ct_cos_sin(t, &c, &sn);
    nrxi_ct_cos_sin(g->tilt, &ct, &st);
    u[0] = c; u[1] = sn;
    e[0] = -sn; e[1] = c;
    memset(source, 0, sizeof source);
    memset(bin, 0, sizeof bin);
    for (k = 0; k < 2; k++) {
        double depth = f->divergent ? g->sdd - g->sod : 0, across = j * g->pitch;
        source[NRX_CT_BY_ANGLE][k] = f->divergent ? g->axis_shift * e[k] + g->sod * u[k] : -u[k];
        bin[NRX_CT_BY_ANGLE][k] = (g->axis_shift + g->offset) * e[k] - depth * u[k] + across * (ct * e[k] - st * u[k]);
        bin[NRX_CT_BY_OFFSET][k] = bin[NRX_CT_BY_AXIS_SHIFT][k] = u[k];
        bin[NRX_CT_BY_TILT][k] = across * (ct * e[k] - st * u[k]);
        if (f->divergent) {
            source[NRX_CT_BY_AXIS_SHIFT][k] = u[k];
            source[NRX_CT_BY_SOD][k] = bin[NRX_CT_BY_SOD][k] = -e[k];
            bin[NRX_CT_BY_SDD][k] = e[k];
        }
        source[NRX_CT_BY_SOURCE_X + k][k] = 1;
        bin[NRX_CT_BY_DETECTOR_X + k][k] = 1;
    }
    for (q = 0; q < NRX_CT_PARAMETERS; q++)
        for (k = 0; k < 2; k++) {
            s->p[q][k] = f->divergent ? source[q][k] : bin[q][k];
            s->d[q][k] = f->divergent ? bin[q][k] - source[q][k] : source[q][k];
        }
}

/* Sums along a ray: the value (1-f) x_i + f x_{i+1}, its slope x_{i+1} - x_i, and the slope times the line. */
NRXI_FN void nrxi_ct_ray_moments(const nrx_ct_geometry *g, const void *image, int by_columns, double a, double b, double sum[3])
{
    size_t lines = by_columns ? g->cols : g->rows, along = by_columns ? g->rows : g->cols, l;
    sum[0] = sum[1] = sum[2] = 0;
    for (l = 0; l < lines; l++) {
        double k = a + b * (double)l, left = 0, right = 0, f;
        ptrdiff_t i;
        if (!(k > -1 && k < (double)along)) continue;
        i = (ptrdiff_t)floor(k);
        f = k - (double)i;
        if (i >= 0) left = nrxi_ct_get(image, g->dtype, by_columns ? (size_t)i * g->cols + l : l * g->cols + (size_t)i);
        if (i + 1 < (ptrdiff_t)along) right = nrxi_ct_get(image, g->dtype, by_columns ? (size_t)(i + 1) * g->cols + l : l * g->cols + (size_t)(i + 1));
        sum[0] += left + f * (right - left);
        sum[1] += right - left;
        sum[2] += (right - left) * (double)l;
    }
}

typedef struct nrxi_ct_slopes_job { const nrx_ct_geometry *g; const void *image, *y; double *per_view; } nrxi_ct_slopes_job;

NRXI_FN void nrxi_ct_slopes_view(void *arg, size_t view)
{
    const nrxi_ct_slopes_job *job = (const nrxi_ct_slopes_job *)arg;
    const nrx_ct_geometry *g = job->g;
    nrxi_ct_grid grid = nrxi_ct_grid_of(g);
    nrxi_ct_frame f = nrxi_ct_frame_of(g, view);
    double *out = job->per_view + view * NRX_CT_PARAMETERS;
    size_t j;
    int q;
    for (q = 0; q < NRX_CT_PARAMETERS; q++) out[q] = 0;
    for (j = 0; j < g->bins; j++) {
        double p[3], d[3], a, b, w, m, sum[3], y = nrxi_ct_get(job->y, g->dtype, view * g->bins + j);
        nrxi_ct_ray_slopes s;
        int by_columns, i, o;
        if (y == 0) continue;
        nrxi_ct_ray(&f, (double)j, f.mid_v, p, d);
        by_columns = nrxi_ct_goes_by_columns(&grid, d);
        nrxi_ct_line_coefficients(&grid, p, d, by_columns, &a, &b, &w);
        if (f.divergent && nrxi_ct_behind(g, &grid, p, d, by_columns, a, b)) continue;
        nrxi_ct_ray_moments(g, job->image, by_columns, a, b, sum);
        if (sum[0] == 0 && sum[1] == 0) continue;
        nrxi_ct_ray_slopes_of(g, &f, nrx_ct_angle(g, view), (double)j - f.mid_u, &s);
        i = by_columns ? 1 : 0; /* the axis along the lines */
        o = 1 - i;
        m = d[i] / d[o];
        for (q = 0; q < NRX_CT_PARAMETERS; q++) { /* a, b, w as in nrxi_ct_line_coefficients */
            double dm = (s.d[q][i] - m * s.d[q][o]) / d[o], unit = by_columns ? -1 / grid.hy : 1 / grid.hx;
            double lead = by_columns ? grid.x0 - p[0] : grid.y0 - p[1], step = by_columns ? grid.hx : -grid.hy;
            double da = unit * (s.p[q][i] - s.p[q][o] * m + lead * dm), db = unit * step * dm, dw = fabs(step) * m * dm / sqrt(1 + m * m);
            out[q] += y * (w * (sum[1] * da + sum[2] * db) + sum[0] * dw);
        }
    }
}

NRX_DEF nrx_status nrx_ct_geometry_gradient(const nrx_ct_geometry *g, const void *image, const void *y, double *gradient, double *per_view)
{
    nrxi_ct_slopes_job job;
    size_t i;
    int q;
    nrx_status status = nrxi_ct_check(g, "nrx_ct_geometry_gradient");
    if (status != NRX_OK) return status;
    if (!image || !y || !gradient) return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_geometry_gradient: an argument is NULL");
    if (nrxi_ct_is_3d(g) || g->kernel != NRX_CT_JOSEPH || g->mask || (g->kind != NRX_CT_PARALLEL && g->kind != NRX_CT_FAN_FLAT))
        return nrxi_fail(&g->env, NRX_E_UNSUPPORTED, "nrx_ct_geometry_gradient: needs a parallel or flat fan geometry, the Joseph kernel and no mask");
    job.g = g; job.image = image; job.y = y;
    job.per_view = per_view ? per_view : (double *)nrxi_alloc(&g->env, g->views, NRX_CT_PARAMETERS * sizeof(double));
    if (!job.per_view) return nrxi_fail(&g->env, NRX_E_NOMEM, "nrx_ct_geometry_gradient: no memory for %zu views", g->views);
    nrxi_parallel(&g->env, g->views, nrxi_ct_slopes_view, &job);
    for (q = 0; q < NRX_CT_PARAMETERS; q++)
        for (gradient[q] = 0, i = 0; i < g->views; i++) gradient[q] += job.per_view[i * NRX_CT_PARAMETERS + (size_t)q];
    if (!per_view) nrxi_free(&g->env, job.per_view);
    return NRX_OK;
}

NRX_DEF nrx_status nrx_ct_geometry_move(nrx_ct_geometry *g, int parameter, double amount)
{
    if (!g) return nrxi_fail(NULL, NRX_E_ARG, "nrx_ct_geometry_move: geometry is NULL");
    switch (parameter) {
    case NRX_CT_BY_ANGLE:
        if (g->angles) return nrxi_fail(&g->env, NRX_E_UNSUPPORTED, "nrx_ct_geometry_move: the angles are an array of the caller");
        g->start += amount;
        return NRX_OK;
    case NRX_CT_BY_OFFSET: g->offset += amount; return NRX_OK;
    case NRX_CT_BY_AXIS_SHIFT: g->axis_shift += amount; return NRX_OK;
    case NRX_CT_BY_SOD: g->sod += amount; return NRX_OK;
    case NRX_CT_BY_SDD: g->sdd += amount; return NRX_OK;
    case NRX_CT_BY_TILT: g->tilt += amount; return NRX_OK;
    default: return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_geometry_move: parameter %d does not belong to the whole scan", parameter);
    }
}

typedef struct nrxi_ct_calibration {
    const void *sino;
    void *image, *r;
    int inner, differences, n, which[NRX_CT_PARAMETERS];
    double scale[NRX_CT_PARAMETERS];    /* a unit step of each parameter: about one bin at the edge */
} nrxi_ct_calibration;

/* f = 1/2 |A x - b|^2, x the CGLS reconstruction at g moved by v; grad (may be NULL) its derivative at fixed x. */
NRXI_FN nrx_status nrxi_ct_calibration_fit(const nrxi_ct_calibration *c, const nrx_ct_geometry *g, const double *v, double *value, double *grad)
{
    nrx_ct_geometry h = *g;
    nrx_ct_solver d;
    double all[NRX_CT_PARAMETERS];
    size_t m = nrx_ct_sino_size(g);
    nrx_status status = NRX_OK;
    int k;
    for (k = 0; k < c->n && status == NRX_OK; k++) status = nrx_ct_geometry_move(&h, c->which[k], v[k] * c->scale[k]);
    memset(&d, 0, sizeof d);
    d.iterations = c->inner;
    if (status == NRX_OK) status = nrx_ct_cgls(&h, c->sino, c->image, &d);
    if (status == NRX_OK) status = nrx_ct_project(&h, c->image, c->r);
    if (status != NRX_OK) return status;
    nrxi_vec_lin(m, g->dtype, 1, c->r, -1, c->sino, c->r);
    *value = 0.5 * nrxi_vec_dot(m, g->dtype, c->r, c->r);
    if (!grad) return NRX_OK;
    status = nrx_ct_geometry_gradient(&h, c->image, c->r, all, NULL);
    for (k = 0; k < c->n; k++) grad[k] = all[c->which[k]] * c->scale[k];
    return status;
}

/* f and its gradient. A truncated reconstruction is no minimum, so its image moves f too: the derivative at fixed image leads into the
   neighbourhood (differences 0), differences of f over a whole unit step lead to the minimum. Over a whole bin, and with the value
   averaged likewise, the ripple cancels by which interpolation between pixels fits noise better in some places than in others.
   bend: second derivatives, or as given. */
NRXI_FN nrx_status nrxi_ct_calibration_value(const nrxi_ct_calibration *c, const nrx_ct_geometry *g, const double *v, double *value, double *grad,
                                             double *bend)
{
    double at[NRX_CT_PARAMETERS], up, down, sum = 0;
    nrx_status status = nrxi_ct_calibration_fit(c, g, v, value, c->differences ? NULL : grad);
    int k;
    memcpy(at, v, (size_t)c->n * sizeof *at);
    for (k = 0; c->differences && k < c->n && status == NRX_OK; k++) {
        at[k] = v[k] + 0.5;
        status = nrxi_ct_calibration_fit(c, g, at, &up, NULL);
        at[k] = v[k] - 0.5;
        if (status == NRX_OK) status = nrxi_ct_calibration_fit(c, g, at, &down, NULL);
        at[k] = v[k];
        if (status != NRX_OK) return status;
        grad[k] = up - down;
        bend[k] = 4 * (up - 2 * *value + down);
        sum += up + down;
    }
    if (c->differences) *value = 0.5 * *value + sum / (4 * c->n);
    return status;
}

/* Twice as many iterations, from 15 to 240, until the added ones lower the residual by less than a thousandth each. */
NRXI_FN nrx_status nrxi_ct_calibration_inner(nrxi_ct_calibration *c, const nrx_ct_geometry *g)
{
    double last = 0;
    nrx_status status = NRX_OK;
    for (c->inner = 15; c->inner <= 240 && status == NRX_OK; c->inner *= 2) {
        nrx_ct_solver d;
        nrx_ct_info info;
        memset(&d, 0, sizeof d);
        memset(&info, 0, sizeof info);
        d.iterations = c->inner;
        d.info = &info;
        status = nrx_ct_cgls(g, c->sino, c->image, &d);
        if (c->inner > 15 && info.residual > (1 - 0.0005 * c->inner) * last) break;
        last = info.residual;
    }
    c->inner /= 2;
    return status;
}

/* BFGS in a few variables with halving of the step; v is the found move. */
NRXI_FN nrx_status nrxi_ct_calibration_run(const nrxi_ct_calibration *c, const nrx_ct_geometry *g, int iterations, double *v, double *value)
{
    enum { N = NRX_CT_PARAMETERS };
    double h[N][N], grad[N], next[N], grad_next[N], step[N], y[N], hy[N], bend[N], unused[N], f, f_next = 0;
    int i, j, k, n = c->n, tries;
    nrx_status status;
    for (i = 0; i < n; i++) bend[i] = 0;
    if ((status = nrxi_ct_calibration_value(c, g, v, &f, grad, bend)) != NRX_OK) return status;
    for (k = 0; k < iterations; k++) {
        double slope = 0, length = 0, sy = 0, yhy = 0;
        for (i = 0; k == 0 && i < n; i++) for (j = 0; j < n; j++) 
            h[i][j] = i == j ? (bend[i] > fabs(grad[i]) ? 1 / bend[i] : 1 / (fabs(grad[i]) + 1e-300)) : 0; /* first: at most one unit each */
        for (i = 0; i < n; i++) {
            for (step[i] = 0, j = 0; j < n; j++) step[i] -= h[i][j] * grad[j];
            if (step[i] > 4) step[i] = 4; /* not further than a few bins at a time */
            if (step[i] < -4) step[i] = -4;
            slope += step[i] * grad[i];
        }
        if (!(slope < 0)) break;
        for (tries = 0; tries < 8; tries++) {
            for (i = 0; i < n; i++) next[i] = v[i] + step[i];
            status = nrxi_ct_calibration_value(c, g, next, &f_next, grad_next, unused);
            if (status != NRX_OK) return status;
            if (f_next <= f + 1e-4 * slope) break;
            for (i = 0; i < n; i++) step[i] *= 0.4;
            slope *= 0.4;
        }
        if (tries == 8) break;
        for (i = 0; i < n; i++) { y[i] = grad_next[i] - grad[i]; sy += step[i] * y[i]; length += step[i] * step[i]; }
        for (i = 0; i < n; i++) { for (hy[i] = 0, j = 0; j < n; j++) hy[i] += h[i][j] * y[j]; yhy += y[i] * hy[i]; }
        if (sy > 0)
            for (i = 0; i < n; i++)
                for (j = 0; j < n; j++) h[i][j] += (sy + yhy) * step[i] * step[j] / (sy * sy) - (hy[i] * step[j] + step[i] * hy[j]) / sy;
        memcpy(v, next, sizeof next);
        memcpy(grad, grad_next, sizeof grad);
        f = f_next;
        if (nrxi_progress(&g->env, (size_t)k + 1, (size_t)iterations, f)) return nrxi_fail(&g->env, NRX_E_CANCELLED, "nrx_ct_calibrate: cancelled");
        if (length < 4e-6) break; /* 0.002 units */
    }
    *value = f;
    return NRX_OK;
}

NRX_DEF nrx_status nrx_ct_calibrate(nrx_ct_geometry *g, const void *sino, unsigned which, int iterations, int inner, double *residual)
{
    nrxi_ct_calibration c;
    nrxi_ct_vectors v;
    nrx_ct_solver d;
    void *block;
    double move[NRX_CT_PARAMETERS], value = 0, norm;
    int k;
    nrx_status status;
    memset(&d, 0, sizeof d);
    memset(&c, 0, sizeof c);
    if ((status = nrxi_ct_check_solver(g, sino, g, &d, "nrx_ct_calibrate")) != NRX_OK) return status;
    if (iterations < 0 || inner < 0 || which == 0 || which >> (NRX_CT_BY_TILT + 1) || which & 1u << NRX_CT_BY_ANGLE)
        return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_calibrate: parameters %d, expected bits of offset, axis shift, sod, sdd, tilt", (int)which);
    for (k = NRX_CT_BY_OFFSET; k <= NRX_CT_BY_TILT; k++) {
        double half = 0.5 * (double)g->bins * g->pitch;
        if (!(which >> k & 1u)) continue;
        c.scale[c.n] = k == NRX_CT_BY_SOD || k == NRX_CT_BY_SDD ? g->pitch * g->sdd / half : k == NRX_CT_BY_TILT ? 1 / (double)g->bins : g->pitch;
        c.which[c.n++] = k;
    }
    block = nrxi_ct_vectors_new(g, 1, 1, &v);
    if (!block) return nrxi_fail(&g->env, NRX_E_NOMEM, "nrx_ct_calibrate: no memory for an image and a sinogram");
    c.sino = sino;
    c.image = nrxi_ct_take(&v, nrx_ct_image_size(g));
    c.r = nrxi_ct_take(&v, nrx_ct_sino_size(g));
    c.inner = inner ? inner : 15; /* few lead far enough for the first round */
    for (; c.differences < 2 && status == NRX_OK; c.differences++) {
        memset(move, 0, sizeof move);
        if (!inner && c.differences) status = nrxi_ct_calibration_inner(&c, g);
        if (status == NRX_OK) status = nrxi_ct_calibration_run(&c, g, iterations ? iterations : 20, move, &value);
        for (k = 0; k < c.n && status == NRX_OK; k++) status = nrx_ct_geometry_move(g, c.which[k], move[k] * c.scale[k]);
    }
    memset(move, 0, sizeof move);
    if (status == NRX_OK && residual) status = nrxi_ct_calibration_fit(&c, g, move, &value, NULL);
    norm = nrxi_ct_data_norm(g, &d, sino);
    if (residual) *residual = norm > 0 ? sqrt(2 * value) / norm : 0;
    nrxi_free(&g->env, block);
    return status;
}

NRX_DEF nrx_status nrx_ct_find_offset(const nrx_ct_geometry *g, const void *sino, double *offset)
{
    double n[3][4], c, s;
    size_t view, j;
    int i, k, m;
    nrx_ct_solver d;
    nrx_status status;
    memset(&d, 0, sizeof d);
    if ((status = nrxi_ct_check_solver(g, sino, offset, &d, "nrx_ct_find_offset")) != NRX_OK) return status;
    if (g->kind != NRX_CT_PARALLEL || nrxi_ct_is_3d(g) || g->views < 3)
        return nrxi_fail(&g->env, NRX_E_UNSUPPORTED, "nrx_ct_find_offset: needs a two-dimensional parallel scan of three views or more");
    memset(n, 0, sizeof n);
    for (view = 0; view < g->views; view++) {
        double mass = 0, moment = 0, row[4];
        for (j = 0; j < g->bins; j++) {
            double p = nrxi_ct_get(sino, g->dtype, view * g->bins + j);
            mass += p;
            moment += p * ((double)j - 0.5 * ((double)g->bins - 1)) * g->pitch;
        }
        if (!(mass > 0)) return nrxi_fail(&g->env, NRX_E_NUMERIC, "nrx_ct_find_offset: view %zu holds no mass", view);
        nrxi_ct_cos_sin(nrx_ct_angle(g, view), &c, &s); /* centre of mass in bins = x cos t + y sin t - offset */
        row[0] = c; row[1] = s; row[2] = -1; row[3] = moment / mass;
        for (i = 0; i < 3; i++) for (k = 0; k < 4; k++) n[i][k] += row[i] * row[k];
    }
    for (i = 0; i < 3; i++)
        for (k = 0; k < 3; k++) {
            double f;
            if (k == i) continue;
            if (!(fabs(n[i][i]) > 1e-9 * (double)g->views)) return nrxi_fail(&g->env, NRX_E_NUMERIC, "nrx_ct_find_offset: the views lie too close together");
            f = n[k][i] / n[i][i];
            for (m = i; m < 4; m++) n[k][m] -= f * n[i][m];
        }
    *offset = n[2][3] / n[2][2];
    return NRX_OK;
}

/* ==== data ==== */

NRX_DEF nrx_status nrx_ct_flat_field(const nrx_ct_geometry *g, const void *raw, const void *flat, size_t flats, const void *dark, size_t darks, double least,
                                     void *sino, unsigned char *dead)
{
    size_t row, view, j, k;
    nrx_status status = nrxi_ct_check(g, "nrx_ct_flat_field");
    if (status != NRX_OK) return status;
    if (!raw || !flat || flats == 0 || (!dark && darks) || !sino || !(least >= 0 && least < 1))
        return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_flat_field: an array is NULL, %zu flats, or least %g", flats, least);
    if (least == 0) least = 1e-6;
    row = g->bins * nrxi_ct_bin_rows(g);
    if (!nrxi_all_finite(raw, row * g->views, g->dtype)) return nrxi_fail(&g->env, NRX_E_NUMERIC, "nrx_ct_flat_field: the counts hold a NaN or an infinity");
    for (j = 0; j < row; j++) {
        double open = 0, closed = 0;
        int good;
        for (k = 0; k < flats; k++) open += nrxi_ct_get(flat, g->dtype, k * row + j) / (double)flats;
        for (k = 0; k < darks; k++) closed += nrxi_ct_get(dark, g->dtype, k * row + j) / (double)darks;
        good = open > closed && nrxi_finite_f64(&open) && nrxi_finite_f64(&closed);
        if (dead) dead[j] = !good;
        for (view = 0; view < g->views; view++) {
            double t = good ? (nrxi_ct_get(raw, g->dtype, view * row + j) - closed) / (open - closed) : 1;
            nrxi_ct_set(sino, g->dtype, view * row + j, -log(t > least ? t : least));
        }
    }
    return NRX_OK;
}

NRX_DEF nrx_status nrx_ct_interpolate(const nrx_ct_geometry *g, void *sino, const unsigned char *bad)
{
    size_t rows, r, j, k;
    nrx_status status = nrxi_ct_check(g, "nrx_ct_interpolate");
    if (status != NRX_OK) return status;
    if (!sino || !bad) return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_interpolate: an array is NULL");
    rows = g->views * nrxi_ct_bin_rows(g);
    for (r = 0; r < rows; r++)
        for (j = 0; j < g->bins; j = k + 1) {
            size_t at = r * g->bins, i;
            double a, b;
            k = j;
            if (!bad[at + j]) continue;
            while (k < g->bins && bad[at + k]) k++; /* bins j .. k-1 are bad */
            if (j == 0 && k == g->bins) return nrxi_fail(&g->env, NRX_E_NUMERIC, "nrx_ct_interpolate: row %zu has no good bin", r);
            b = k < g->bins ? nrxi_ct_get(sino, g->dtype, at + k) : nrxi_ct_get(sino, g->dtype, at + j - 1);
            a = j > 0 ? nrxi_ct_get(sino, g->dtype, at + j - 1) : b;
            for (i = j; i < k; i++) nrxi_ct_set(sino, g->dtype, at + i, a + (b - a) * (double)(i - j + 1) / (double)(k - j + 1));
        }
    return NRX_OK;
}

NRX_DEF nrx_status nrx_ct_metal_trace(const nrx_ct_geometry *g, const void *image, double threshold, unsigned char *bad)
{
    size_t n = nrx_ct_image_size(g), m = nrx_ct_sino_size(g), i;
    void *metal, *trace;
    nrx_status status = nrxi_ct_check(g, "nrx_ct_metal_trace");
    if (status != NRX_OK) return status;
    if (!image || !bad) return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_metal_trace: an array is NULL");
    metal = nrxi_alloc(&g->env, n, nrxi_dtype_size(g->dtype));
    trace = nrxi_alloc(&g->env, m, nrxi_dtype_size(g->dtype));
    if (!metal || !trace) status = nrxi_fail(&g->env, NRX_E_NOMEM, "nrx_ct_metal_trace: no memory for an image and a sinogram");
    else {
        for (i = 0; i < n; i++) nrxi_ct_set(metal, g->dtype, i, nrxi_ct_get(image, g->dtype, i) > threshold);
        status = nrx_ct_project(g, metal, trace);
        for (i = 0; i < m && status == NRX_OK; i++) bad[i] = nrxi_ct_get(trace, g->dtype, i) > 1e-3 * g->pixel;
    }
    nrxi_free(&g->env, metal);
    nrxi_free(&g->env, trace);
    return status;
}

/* high[j] = the row minus its local parabola (Savitzky and Golay 1964) over 2 m + 1 bins; ends repeat. */
NRXI_FN void nrxi_ct_roughness(const nrx_ct_geometry *g, const void *sino, size_t at, int m, double *high)
{
    double mm = (double)m, scale = 1 / ((2 * mm - 1) * (2 * mm + 1) * (2 * mm + 3));
    ptrdiff_t j, k, bins = (ptrdiff_t)g->bins;
    for (j = 0; j < bins; j++) {
        high[j] = nrxi_ct_get(sino, g->dtype, at + (size_t)j);
        for (k = -m; k <= m; k++) {
            ptrdiff_t i = j + k < 0 ? 0 : j + k < bins ? j + k : bins - 1;
            high[j] -= scale * (3 * (3 * mm * mm + 3 * mm - 1) - 15 * (double)(k * k)) * nrxi_ct_get(sino, g->dtype, at + (size_t)i);
        }
    }
}

NRX_DEF nrx_status nrx_ct_remove_rings(const nrx_ct_geometry *g, void *sino, size_t size)
{
    size_t rows = g ? nrxi_ct_bin_rows(g) : 0, n, r, j, i;
    double *high, *bin;
    int round;
    nrx_status status = nrxi_ct_check(g, "nrx_ct_remove_rings");
    if (status != NRX_OK) return status;
    if (size == 0) size = g->bins > 200 ? g->bins / 40 * 2 - 1 : 9;
    if (!sino || size % 2 == 0 || size < 5 || size > 1001)
        return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_remove_rings: size %zu, expected odd, 5 to 1001", size);
    if (!nrxi_all_finite(sino, nrx_ct_sino_size(g), g->dtype)) return nrxi_fail(&g->env, NRX_E_NUMERIC, "nrx_ct_remove_rings: the sinogram holds a NaN or an infinity");
    n = g->views * g->bins;
    high = (double *)nrxi_alloc(&g->env, n + g->views, sizeof *high);
    if (!high) return nrxi_fail(&g->env, NRX_E_NOMEM, "nrx_ct_remove_rings: no memory for a sinogram of %zu elements", n);
    bin = high + n;
    for (r = 0; r < rows; r++)
        for (round = 0; round < 3; round++) { /* what one parabola took for structure, the next may not */
            for (i = 0; i < g->views; i++) nrxi_ct_roughness(g, sino, (i * rows + r) * g->bins, (int)(size / 2), high + i * g->bins);
            for (j = 0; j < g->bins; j++) {
                double stripe;
                for (i = 0; i < g->views; i++) bin[i] = high[i * g->bins + j];
                stripe = nrxi_ct_kth(bin, g->views, g->views / 2);
                for (i = 0; i < g->views; i++) {
                    size_t at = (i * rows + r) * g->bins + j;
                    nrxi_ct_set(sino, g->dtype, at, nrxi_ct_get(sino, g->dtype, at) - stripe);
                }
            }
        }
    nrxi_free(&g->env, high);
    return NRX_OK;
}

NRX_DEF nrx_status nrx_ct_remove_zingers(const nrx_ct_geometry *g, void *sino, double factor, size_t *count)
{
    size_t row, view, j, found = 0;
    double sigma = 0;
    nrx_status status = nrx_ct_noise_level(g, sino, &sigma);
    if (status != NRX_OK) return status;
    if (g->views < 3 || !(factor >= 0)) return nrxi_fail(&g->env, NRX_E_ARG, "nrx_ct_remove_zingers: %zu views, factor %g", g->views, factor);
    if (factor == 0) factor = 6;
    row = g->bins * nrxi_ct_bin_rows(g);
    for (view = 0; view < g->views; view++)
        for (j = 0; j < row; j++) {
            double a = nrxi_ct_get(sino, g->dtype, (view ? view - 1 : 2) * row + j), v = nrxi_ct_get(sino, g->dtype, view * row + j);
            double b = nrxi_ct_get(sino, g->dtype, (view + 1 < g->views ? view + 1 : g->views - 3) * row + j), reach = factor * sigma + fabs(a - b);
            if (fabs(v - a) <= reach || fabs(v - b) <= reach) continue;
            nrxi_ct_set(sino, g->dtype, view * row + j, 0.5 * (a + b));
            found++;
        }
    if (count) *count = found;
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_ct_check_beam(const nrx_ct_beam *beam, const char *who)
{
    size_t e, m;
    double total = 0;
    if (!beam || !beam->spectrum || !beam->mu || beam->energies == 0 || beam->materials == 0)
        return nrxi_fail(NULL, NRX_E_ARG, "%s: the beam has no energies, materials or tables", who);
    for (e = 0; e < beam->energies; e++) {
        total += beam->spectrum[e];
        if (!(beam->spectrum[e] >= 0)) return nrxi_fail(NULL, NRX_E_ARG, "%s: spectrum[%zu] is %g", who, e, beam->spectrum[e]);
        for (m = 0; m < beam->materials; m++)
            if (!(beam->mu[m * beam->energies + e] >= 0)) return nrxi_fail(NULL, NRX_E_ARG, "%s: mu of material %zu at energy %zu is %g", who, m, e, beam->mu[m * beam->energies + e]);
    }
    return total > 0 && nrxi_finite_f64(&total) ? NRX_OK : nrxi_fail(NULL, NRX_E_ARG, "%s: the spectrum sums to %g", who, total);
}

/* -log of the transmitted part for material lengths given by a function of the index. */
NRXI_FN double nrxi_ct_transmit(const nrx_ct_beam *beam, const double *length)
{
    double total = 0, through = 0;
    size_t e, m;
    for (e = 0; e < beam->energies; e++) {
        double p = 0;
        for (m = 0; m < beam->materials; m++) p += beam->mu[m * beam->energies + e] * length[m];
        total += beam->spectrum[e];
        through += beam->spectrum[e] * exp(-p);
    }
    return -log(through / total);
}

NRX_DEF nrx_status nrx_ct_polychromatic(size_t n, int dtype, const nrx_ct_beam *beam, const void *lengths, void *sino)
{
    double length[16];
    size_t i, m;
    nrx_status status = nrxi_ct_check_array(n, dtype, lengths, "nrx_ct_polychromatic");
    if (status == NRX_OK) status = nrxi_ct_check_array(n, dtype, sino, "nrx_ct_polychromatic");
    if (status == NRX_OK) status = nrxi_ct_check_beam(beam, "nrx_ct_polychromatic");
    if (status != NRX_OK) return status;
    if (beam->materials > 16) return nrxi_fail(NULL, NRX_E_UNSUPPORTED, "nrx_ct_polychromatic: %zu materials, at most 16", beam->materials);
    for (i = 0; i < n; i++) {
        for (m = 0; m < beam->materials; m++) length[m] = nrxi_ct_get(lengths, dtype, m * n + i);
        nrxi_ct_set(sino, dtype, i, nrxi_ct_transmit(beam, length));
    }
    return NRX_OK;
}

NRX_DEF nrx_status nrx_ct_fit_hardening(const nrx_ct_beam *beam, size_t m, double longest, int degree, double *c)
{
    double normal[6][7], mu0 = 0, total = 0, length[16];
    int i, j, k, q;
    size_t e;
    nrx_status status = nrxi_ct_check_beam(beam, "nrx_ct_fit_hardening");
    if (status != NRX_OK) return status;
    if (m >= beam->materials || beam->materials > 16 || !(longest > 0) || degree < 1 || degree > 6 || !c)
        return nrxi_fail(NULL, NRX_E_ARG, "nrx_ct_fit_hardening: material %zu, longest %g, degree %d", m, longest, degree);
    memset(normal, 0, sizeof normal);
    memset(length, 0, sizeof length);
    for (e = 0; e < beam->energies; e++) { mu0 += beam->spectrum[e] * beam->mu[m * beam->energies + e]; total += beam->spectrum[e]; }
    mu0 /= total;
    for (q = 1; q <= 200; q++) { /* least squares on equal lengths; powers scaled to 0 .. 1 keep it well conditioned */
        double x, row[7], scale;
        length[m] = longest;
        scale = nrxi_ct_transmit(beam, length);
        length[m] = longest * q / 200;
        x = nrxi_ct_transmit(beam, length) / scale;
        for (row[0] = x, i = 1; i < degree; i++) row[i] = row[i - 1] * x;
        row[degree] = mu0 * length[m];
        for (i = 0; i < degree; i++) for (j = 0; j <= degree; j++) normal[i][j] += row[i] * row[j];
        if (q == 200) for (c[0] = 1 / scale, i = 1; i < degree; i++) c[i] = c[i - 1] / scale;
    }
    for (k = 0; k < degree; k++)
        for (i = 0; i < degree; i++) {
            double f;
            if (i == k) continue;
            if (!(fabs(normal[k][k]) > 0)) return nrxi_fail(NULL, NRX_E_NUMERIC, "nrx_ct_fit_hardening: degree %d is too high for this beam", degree);
            f = normal[i][k] / normal[k][k];
            for (j = k; j <= degree; j++) normal[i][j] -= f * normal[k][j];
        }
    for (i = 0; i < degree; i++) c[i] *= normal[i][degree] / normal[i][i];
    return NRX_OK;
}

NRX_DEF nrx_status nrx_ct_correct_hardening(size_t n, int dtype, void *sino, int degree, const double *c)
{
    size_t i;
    int k;
    nrx_status status = nrxi_ct_check_array(n, dtype, sino, "nrx_ct_correct_hardening");
    if (status != NRX_OK) return status;
    if (degree < 1 || !c) return nrxi_fail(NULL, NRX_E_ARG, "nrx_ct_correct_hardening: degree %d", degree);
    for (i = 0; i < n; i++) {
        double x = nrxi_ct_get(sino, dtype, i), v = 0;
        for (k = degree; k-- > 0;) v = (v + c[k]) * x;
        nrxi_ct_set(sino, dtype, i, v);
    }
    return NRX_OK;
}

NRX_DEF nrx_status nrx_ct_hounsfield(size_t n, int dtype, void *image, double mu_water, double mu_air)
{
    size_t i;
    nrx_status status = nrxi_ct_check_array(n, dtype, image, "nrx_ct_hounsfield");
    if (status != NRX_OK) return status;
    if (!(mu_water > mu_air)) return nrxi_fail(NULL, NRX_E_ARG, "nrx_ct_hounsfield: mu_water %g, mu_air %g", mu_water, mu_air);
    for (i = 0; i < n; i++) nrxi_ct_set(image, dtype, i, 1000 * (nrxi_ct_get(image, dtype, i) - mu_water) / (mu_water - mu_air));
    return NRX_OK;
}

/* ==== image files ==== */

/* Bytes with a place, and where pixels of one kind lie. */
typedef struct nrxi_ct_bytes { const unsigned char *p; size_t n; int big; } nrxi_ct_bytes;

NRXI_FN uint32_t nrxi_ct_number_at(const nrxi_ct_bytes *b, size_t at, int bytes)
{
    uint32_t v = 0;
    int k;
    if (at > b->n || (size_t)bytes > b->n - at) return 0; /* callers check the range where it matters */
    for (k = 0; k < bytes; k++) v = v << 8 | b->p[at + (size_t)(b->big ? k : bytes - 1 - k)];
    return v;
}

enum { NRXI_CT_U8, NRXI_CT_U16, NRXI_CT_I16, NRXI_CT_F32, NRXI_CT_F64, NRXI_CT_KINDS };

NRXI_FN size_t nrxi_ct_kind_size(int kind) { return kind == NRXI_CT_U8 ? 1 : kind < NRXI_CT_F32 ? 2 : kind == NRXI_CT_F32 ? 4 : 8; }

/* Converts count pixels at `at`; 0 when they do not lie within the bytes. */
NRXI_FN int nrxi_ct_pixels(const nrxi_ct_bytes *b, size_t at, size_t count, int kind, int dtype, void *out, size_t first)
{
    size_t i, size = nrxi_ct_kind_size(kind), bytes;
    if (!nrxi_mul_ok(count, size, &bytes) || at > b->n || bytes > b->n - at) return 0;
    for (i = 0; i < count; i++) {
        double v = 0;
        if (kind == NRXI_CT_F32) {
            uint32_t bits = nrxi_ct_number_at(b, at + 4 * i, 4);
            float f;
            memcpy(&f, &bits, 4);
            v = (double)f;
        } else if (kind == NRXI_CT_F64) {
            uint64_t bits = (uint64_t)nrxi_ct_number_at(b, at + 8 * i + (b->big ? 0u : 4u), 4) << 32 | nrxi_ct_number_at(b, at + 8 * i + (b->big ? 4u : 0u), 4);
            memcpy(&v, &bits, 8);
        } else {
            uint32_t u = nrxi_ct_number_at(b, at + size * i, (int)size);
            v = kind == NRXI_CT_I16 && u > 32767 ? (double)u - 65536 : (double)u;
        }
        nrxi_ct_set(out, dtype, first + i, v);
    }
    return 1;
}

/* Allocates shape[0] x shape[1] x shape[2] pixels, of which the file must at least hold one byte each. */
NRXI_FN nrx_status nrxi_ct_image_room(const size_t shape[3], size_t available, int dtype, void **data, const char *what, const nrx_env *env)
{
    size_t n;
    if (!nrxi_mul_ok(shape[0], shape[1], &n) || !nrxi_mul_ok(n, shape[2], &n) || n == 0 || n > available)
        return nrxi_fail(env, NRX_E_FORMAT, "nrx_ct_image_load: %s of %zu x %zu x %zu pixels in %zu bytes", what, shape[0], shape[1], shape[2], available);
    *data = nrxi_alloc(env, n, nrxi_dtype_size(dtype));
    return *data ? NRX_OK : nrxi_fail(env, NRX_E_NOMEM, "nrx_ct_image_load: no memory for %zu pixels", n);
}

NRXI_FN nrx_status nrxi_ct_pgm(const nrxi_ct_bytes *file, int dtype, void **data, size_t shape[3], const nrx_env *env)
{
    nrxi_ct_bytes b = *file;
    size_t v[3] = {0, 0, 0}, at = 2;
    nrx_status status;
    int k;
    for (k = 0; k < 3; k++) { /* width, height, largest value, with white space and comments between */
        while (at < b.n && (b.p[at] <= ' ' || b.p[at] == '#')) {
            if (b.p[at] == '#') while (at < b.n && b.p[at] != '\n') at++;
            else at++;
        }
        for (; at < b.n && b.p[at] >= '0' && b.p[at] <= '9' && v[k] < 100000000; at++) v[k] = v[k] * 10 + (size_t)(b.p[at] - '0');
    }
    at++;
    shape[0] = 1; shape[1] = v[1]; shape[2] = v[0];
    if (v[2] == 0 || v[2] > 65535) return nrxi_fail(env, NRX_E_FORMAT, "nrx_ct_image_load: PGM with largest value %zu", v[2]);
    if ((status = nrxi_ct_image_room(shape, b.n, dtype, data, "PGM", env)) != NRX_OK) return status;
    b.big = 1;
    if (nrxi_ct_pixels(&b, at, v[0] * v[1], v[2] > 255 ? NRXI_CT_U16 : NRXI_CT_U8, dtype, *data, 0)) return NRX_OK;
    nrxi_free(env, *data);
    *data = NULL;
    return nrxi_fail(env, NRX_E_FORMAT, "nrx_ct_image_load: PGM of %zu x %zu pixels ends early", v[1], v[0]);
}

/* One TIFF directory. */
typedef struct nrxi_ct_page { size_t cols, rows, strips, offsets, offset_size, counts, count_size, per_strip, next; int kind, bits, format, compression, samples; } nrxi_ct_page;

NRXI_FN int nrxi_ct_tiff_page(const nrxi_ct_bytes *b, size_t at, nrxi_ct_page *p)
{
    size_t entries = nrxi_ct_number_at(b, at, 2), i;
    memset(p, 0, sizeof *p);
    p->bits = p->samples = p->compression = p->format = 1;
    p->per_strip = (size_t)-1;
    if (at > b->n || entries == 0 || entries * 12 + 6 > b->n - at) return 0;
    for (i = 0; i < entries; i++) {
        size_t e = at + 2 + 12 * i, tag = nrxi_ct_number_at(b, e, 2), type = nrxi_ct_number_at(b, e + 2, 2), count = nrxi_ct_number_at(b, e + 4, 4);
        size_t size = type == 3 ? 2 : 4, value = nrxi_ct_number_at(b, e + 8, (int)size), where = count * size <= 4 ? e + 8 : nrxi_ct_number_at(b, e + 8, 4);
        switch (tag) {
        case 256: p->cols = value; break;
        case 257: p->rows = value; break;
        case 258: p->bits = (int)value; break;
        case 259: p->compression = (int)value; break;
        case 273: p->offsets = where; p->offset_size = size; p->strips = count; break;
        case 277: p->samples = (int)value; break;
        case 278: p->per_strip = value; break;
        case 339: p->format = (int)value; break;
        default: break;
        }
    }
    p->next = nrxi_ct_number_at(b, at + 2 + 12 * entries, 4);
    p->kind = p->format == 3 ? (p->bits == 32 ? NRXI_CT_F32 : p->bits == 64 ? NRXI_CT_F64 : -1)
            : p->bits == 8 && p->format == 1 ? NRXI_CT_U8 : p->bits == 16 ? (p->format == 2 ? NRXI_CT_I16 : NRXI_CT_U16) : -1;
    return 1;
}

NRXI_FN int nrxi_ct_tiff_pixels(const nrxi_ct_bytes *b, const nrxi_ct_page *p, int dtype, void *out, size_t first)
{
    size_t s, row = 0;
    if (p->per_strip == 0 || p->offset_size == 0) return 0;
    for (s = 0; s < p->strips && row < p->rows; s++) {
        size_t rows = p->rows - row < p->per_strip ? p->rows - row : p->per_strip, entry = p->offsets + s * p->offset_size;
        if (entry > b->n || p->offset_size > b->n - entry) return 0;
        if (!nrxi_ct_pixels(b, nrxi_ct_number_at(b, entry, (int)p->offset_size), rows * p->cols, p->kind, dtype, out, first + row * p->cols)) return 0;
        row += rows;
    }
    return row == p->rows;
}

NRXI_FN nrx_status nrxi_ct_tiff(const nrxi_ct_bytes *file, int dtype, void **data, size_t shape[3], const nrx_env *env)
{
    nrxi_ct_bytes b = *file;
    nrxi_ct_page p, first;
    size_t at, pages = 0;
    nrx_status status;
    b.big = b.p[0] == 'M';
    memset(&first, 0, sizeof first);
    for (at = nrxi_ct_number_at(&b, 4, 4); at && pages < 65536; at = p.next, pages++) { /* a loop of directories ends at 65536 */
        if (!nrxi_ct_tiff_page(&b, at, &p)) return nrxi_fail(env, NRX_E_FORMAT, "nrx_ct_image_load: TIFF directory %zu is broken", pages);
        if (p.compression != 1 || p.samples != 1 || p.kind < 0)
            return nrxi_fail(env, NRX_E_UNSUPPORTED, "nrx_ct_image_load: TIFF with compression %d, %d samples of %d bits, format %d; only plain 8, 16 bit or float", p.compression,
                             p.samples, p.bits, p.format);
        if (pages == 0) first = p;
        if (p.cols != first.cols || p.rows != first.rows)
            return nrxi_fail(env, NRX_E_UNSUPPORTED, "nrx_ct_image_load: TIFF page %zu is %zux%zu, the first %zux%zu", pages, p.rows, p.cols, first.rows, first.cols);
    }
    shape[0] = pages; shape[1] = first.rows; shape[2] = first.cols;
    if ((status = nrxi_ct_image_room(shape, b.n, dtype, data, "TIFF", env)) != NRX_OK) return status;
    for (pages = 0, at = nrxi_ct_number_at(&b, 4, 4); pages < shape[0]; at = p.next, pages++)
        if (!nrxi_ct_tiff_page(&b, at, &p) || !nrxi_ct_tiff_pixels(&b, &p, dtype, *data, pages * shape[1] * shape[2])) {
            nrxi_free(env, *data);
            *data = NULL;
            return nrxi_fail(env, NRX_E_FORMAT, "nrx_ct_image_load: TIFF page %zu ends early", pages);
        }
    return NRX_OK;
}

/* MetaImage: `key = value` lines up to ElementDataFile. */
NRXI_FN nrx_status nrxi_ct_meta(const nrxi_ct_bytes *file, const char *directory, size_t directory_size, int dtype, void **data, size_t shape[3], double spacing[3], const nrx_env *env)
{
    static const char types[NRXI_CT_KINDS][12] = {"MET_UCHAR", "MET_USHORT", "MET_SHORT", "MET_FLOAT", "MET_DOUBLE"};
    nrxi_ct_reader r;
    nrxi_ct_bytes b = *file;
    double size[3] = {1, 1, 1}, v[3] = {1, 1, 1};
    int kind = -1, next, k, ok;
    unsigned char *other = NULL;
    nrx_status status;
    memset(&r, 0, sizeof r);
    r.text = (const char *)b.p;
    r.size = b.n;
    r.env = env;
    while ((next = nrxi_ct_next(&r)) == 1) {
        if (nrxi_ct_same(r.key, r.key_size, "DimSize")) nrxi_ct_numbers(&r, 2, 3, size);
        else if (nrxi_ct_same(r.key, r.key_size, "ElementSpacing")) nrxi_ct_numbers(&r, 2, 3, v);
        else if (nrxi_ct_same(r.key, r.key_size, "ElementType")) kind = nrxi_ct_word(&r, types, NRXI_CT_KINDS);
        else if (nrxi_ct_same(r.key, r.key_size, "ElementByteOrderMSB") || nrxi_ct_same(r.key, r.key_size, "BinaryDataByteOrderMSB"))
            b.big = r.value_size > 0 && (r.value[0] == 'T' || r.value[0] == 't');
        else if (nrxi_ct_same(r.key, r.key_size, "CompressedData") && r.value_size > 0 && (r.value[0] == 'T' || r.value[0] == 't'))
            return nrxi_fail(env, NRX_E_UNSUPPORTED, "nrx_ct_image_load: compressed MetaImage");
        else if (nrxi_ct_same(r.key, r.key_size, "ElementDataFile")) break;
    }
    for (k = 0; k < 3; k++) { shape[2 - k] = nrxi_ct_whole(size[k]); if (spacing) spacing[k] = v[k]; }
    if (next != 1 || kind < 0) return nrxi_fail(env, NRX_E_FORMAT, "nrx_ct_image_load: MetaImage without a known ElementType and ElementDataFile");
    if (nrxi_ct_same(r.value, r.value_size, "LOCAL")) { b.p += r.at; b.n -= r.at; }
    else {
        char *path;
        if (!directory) return nrxi_fail(env, NRX_E_UNSUPPORTED, "nrx_ct_image_decode: a MetaImage with its data in another file needs a path");
        path = (char *)nrxi_alloc(env, directory_size + r.value_size + 1, 1);
        if (!path) return nrxi_fail(env, NRX_E_NOMEM, "nrx_ct_image_load: no memory for a path");
        memcpy(path, directory, directory_size);
        memcpy(path + directory_size, r.value, r.value_size);
        path[directory_size + r.value_size] = 0;
        status = nrxi_file_read(path, &other, &b.n, env);
        nrxi_free(env, path);
        if (status != NRX_OK) return status;
        b.p = other;
    }
    status = nrxi_ct_image_room(shape, b.n, dtype, data, "MetaImage", env);
    if (status == NRX_OK) {
        ok = nrxi_ct_pixels(&b, 0, shape[0] * shape[1] * shape[2], kind, dtype, *data, 0);
        if (!ok) {
            nrxi_free(env, *data);
            *data = NULL;
            status = nrxi_fail(env, NRX_E_FORMAT, "nrx_ct_image_load: MetaImage data end early");
        }
    }
    nrxi_free(env, other);
    return status;
}

NRXI_FN nrx_status nrxi_ct_image_bytes(const unsigned char *bytes, size_t size, const char *directory, size_t directory_size, int dtype, void **data, size_t shape[3],
                                       double spacing[3], const nrx_env *env)
{
    nrxi_ct_bytes b;
    int k;
    b.p = bytes; b.n = size; b.big = 0;
    *data = NULL;
    shape[0] = shape[1] = shape[2] = 0;
    for (k = 0; spacing && k < 3; k++) spacing[k] = 1;
    if (size >= 8 && memcmp(bytes, "\x93NUMPY", 6) == 0) {
        size_t s[NRXI_NPY_NDIM];
        int ndim = 0;
        nrx_status status = nrxi_npy_decode(bytes, size, dtype, data, s, &ndim, "nrx_ct_image_load", env);
        if (status != NRX_OK) return status;
        if (ndim < 1 || ndim > 3) { nrxi_free(env, *data); *data = NULL; return nrxi_fail(env, NRX_E_SHAPE, "nrx_ct_image_load: array of %d dimensions", ndim); }
        for (k = 0; k < 3; k++) shape[k] = k < 3 - ndim ? 1 : s[k - (3 - ndim)];
        return NRX_OK;
    }
    if (size >= 8 && (memcmp(bytes, "II*\0", 4) == 0 || memcmp(bytes, "MM\0*", 4) == 0)) return nrxi_ct_tiff(&b, dtype, data, shape, env);
    if (size >= 8 && bytes[0] == 'P' && bytes[1] == '5') return nrxi_ct_pgm(&b, dtype, data, shape, env);
    if (size >= 8 && (memcmp(bytes, "ObjectTy", 8) == 0 || memcmp(bytes, "NDims", 5) == 0)) return nrxi_ct_meta(&b, directory, directory_size, dtype, data, shape, spacing, env);
    return nrxi_fail(env, NRX_E_FORMAT, "nrx_ct_image_load: unknown file of %zu bytes that begins with %d %d %d %d; expected npy, TIFF, MetaImage or PGM", size, size > 0 ? bytes[0] : -1,
                     size > 1 ? bytes[1] : -1, size > 2 ? bytes[2] : -1, size > 3 ? bytes[3] : -1);
}

NRX_DEF nrx_status nrx_ct_image_decode(const void *bytes, size_t size, int dtype, void **data, size_t shape[3], double spacing[3], const nrx_env *env)
{
    if (!bytes || !data || !shape || (dtype != NRX_F32 && dtype != NRX_F64)) return nrxi_fail(env, NRX_E_ARG, "nrx_ct_image_decode: an argument is NULL, or dtype %d", dtype);
    return nrxi_ct_image_bytes((const unsigned char *)bytes, size, NULL, 0, dtype, data, shape, spacing, env);
}

NRX_DEF nrx_status nrx_ct_image_load(const char *path, int dtype, void **data, size_t shape[3], double spacing[3], const nrx_env *env)
{
    unsigned char *bytes;
    size_t size, n;
    nrx_status status;
    if (!path || !data || !shape || (dtype != NRX_F32 && dtype != NRX_F64)) return nrxi_fail(env, NRX_E_ARG, "nrx_ct_image_load: an argument is NULL, or dtype %d", dtype);
    *data = NULL;
    status = nrxi_file_read(path, &bytes, &size, env);
    if (status != NRX_OK) return status;
    for (n = strlen(path); n && path[n - 1] != '/' && path[n - 1] != '\\'; n--) { }
    status = nrxi_ct_image_bytes(bytes, size, path, n, dtype, data, shape, spacing, env);
    nrxi_free(env, bytes);
    return status;
}

NRX_DEF nrx_status nrx_ct_raw_load(const char *path, const char *kind, size_t offset, size_t count, int dtype, void **data, const nrx_env *env)
{
    static const char names[NRXI_CT_KINDS][4] = {"u8", "u16", "i16", "f32", "f64"};
    nrxi_ct_bytes b;
    unsigned char *bytes;
    int k;
    nrx_status status;
    if (!path || !kind || !data || count == 0 || (dtype != NRX_F32 && dtype != NRX_F64)) return nrxi_fail(env, NRX_E_ARG, "nrx_ct_raw_load: an argument is NULL or 0");
    *data = NULL;
    for (k = 0; k < NRXI_CT_KINDS && strcmp(kind, names[k]) != 0; k++) { }
    if (k == NRXI_CT_KINDS) return nrxi_fail(env, NRX_E_ARG, "nrx_ct_raw_load: kind '%s', expected u8, u16, i16, f32 or f64", kind);
    b.big = 0;
    status = nrxi_file_read(path, &bytes, &b.n, env);
    if (status != NRX_OK) return status;
    b.p = bytes;
    if (count > b.n) status = nrxi_fail(env, NRX_E_FORMAT, "nrx_ct_raw_load: %s has %zu bytes, expected %zu values", path, b.n, count);
    else if (!(*data = nrxi_alloc(env, count, nrxi_dtype_size(dtype)))) status = nrxi_fail(env, NRX_E_NOMEM, "nrx_ct_raw_load: no memory for %zu values", count);
    else if (!nrxi_ct_pixels(&b, offset, count, k, dtype, *data, 0)) {
        nrxi_free(env, *data);
        *data = NULL;
        status = nrxi_fail(env, NRX_E_FORMAT, "nrx_ct_raw_load: %s has %zu bytes, expected %zu %s after %zu", path, b.n, count, kind, offset);
    }
    nrxi_free(env, bytes);
    return status;
}

/* The f32 little-endian bytes of an array, after `room` free bytes. */
NRXI_FN unsigned char *nrxi_ct_f32_bytes(size_t n, int dtype, const void *data, size_t room, size_t *bytes, const nrx_env *env)
{
    unsigned char *p, *q;
    size_t i;
    if (!nrxi_mul_ok(n, 4, bytes) || !nrxi_add_ok(*bytes, room, bytes)) return NULL;
    p = (unsigned char *)nrxi_calloc(env, *bytes, 1);
    if (!p) return NULL;
    for (q = p + room, i = 0; i < n; i++) {
        float v = (float)nrxi_ct_get(data, dtype, i);
        uint32_t bits;
        memcpy(&bits, &v, 4);
        q = nrxi_put_le(q, bits, 4);
    }
    return p;
}

/* Little-endian TIFF: header, pixels of all pages, then one directory of nine entries per page. */
NRXI_FN nrx_status nrxi_ct_tiff_save(const char *path, int dtype, const void *data, const size_t shape[3], const nrx_env *env)
{
    size_t plane = shape[1] * shape[2], pages = shape[0], n = plane * pages, bytes, k, tail = pages * (2 + 9 * 12 + 4);
    unsigned char *p, *q;
    nrx_status status;
    if (n > 0x3ff00000u || pages > 60000) return nrxi_fail(env, NRX_E_UNSUPPORTED, "nrx_ct_image_save: %zu pixels do not fit a TIFF of 4 GB", n);
    p = nrxi_ct_f32_bytes(n, dtype, data, 8, &bytes, env);
    q = p ? (unsigned char *)nrxi_realloc(env, p, bytes + tail, 1) : NULL;
    if (!q) {
        nrxi_free(env, p);
        return nrxi_fail(env, NRX_E_NOMEM, "nrx_ct_image_save: no memory for %zu pixels", n);
    }
    p = q;
    memcpy(p, "II*\0", 4);
    nrxi_put_le(p + 4, 8 + 4 * n, 4);
    for (q = p + 8 + 4 * n, k = 0; k < pages; k++) {
        const uint32_t tags[9][3] = {{256, 4, (uint32_t)shape[2]}, {257, 4, (uint32_t)shape[1]}, {258, 3, 32}, {259, 3, 1}, {262, 3, 1},
                                     {273, 4, (uint32_t)(8 + 4 * plane * k)}, {278, 4, (uint32_t)shape[1]}, {279, 4, (uint32_t)(4 * plane)}, {339, 3, 3}};
        int i;
        q = nrxi_put_le(q, 9, 2);
        for (i = 0; i < 9; i++) {
            q = nrxi_put_le(q, tags[i][0], 2);
            q = nrxi_put_le(q, tags[i][1], 2);
            q = nrxi_put_le(q, 1, 4);
            q = nrxi_put_le(q, tags[i][2], 4);
        }
        q = nrxi_put_le(q, k + 1 < pages ? 8 + 4 * n + (k + 1) * (2 + 9 * 12 + 4) : 0, 4);
    }
    status = nrxi_file_write(path, NULL, 0, p, 8 + 4 * n + tail, env);
    nrxi_free(env, p);
    return status;
}

NRXI_FN nrx_status nrxi_ct_meta_save(const char *path, int dtype, const void *data, const size_t shape[3], const double spacing[3], const nrx_env *env)
{
    char head[400];
    nrxi_text t;
    size_t bytes;
    unsigned char *p;
    nrx_status status;
    int k;
    t.at = head;
    t.end = head + sizeof head;
    nrxi_put_string(&t, "ObjectType = Image\nNDims = 3\nDimSize =");
    for (k = 2; k >= 0; k--) { nrxi_put(&t, ' '); nrxi_put_unsigned(&t, shape[k]); }
    nrxi_put_string(&t, "\nElementSpacing =");
    for (k = 0; k < 3; k++) { nrxi_put(&t, ' '); nrxi_put_double(&t, spacing ? spacing[k] : 1); }
    nrxi_put_string(&t, "\nElementByteOrderMSB = False\nElementType = MET_FLOAT\nElementDataFile = LOCAL\n");
    p = nrxi_ct_f32_bytes(shape[0] * shape[1] * shape[2], dtype, data, 0, &bytes, env);
    if (!p) return nrxi_fail(env, NRX_E_NOMEM, "nrx_ct_image_save: no memory for a copy");
    status = nrxi_file_write(path, head, (size_t)(t.at - head), p, bytes, env);
    nrxi_free(env, p);
    return status;
}

NRXI_FN nrx_status nrxi_ct_pgm_save(const char *path, int dtype, const void *data, const size_t shape[3], double lo, double hi, const nrx_env *env)
{
    char head[64];
    nrxi_text t;
    size_t n = shape[1] * shape[2], i;
    unsigned char *p = (unsigned char *)nrxi_alloc(env, n, 2);
    nrx_status status;
    if (!p) return nrxi_fail(env, NRX_E_NOMEM, "nrx_ct_image_save: no memory for a copy");
    t.at = head;
    t.end = head + sizeof head;
    nrxi_put_string(&t, "P5\n");
    nrxi_put_unsigned(&t, shape[2]);
    nrxi_put(&t, ' ');
    nrxi_put_unsigned(&t, shape[1]);
    nrxi_put_string(&t, "\n65535\n");
    for (i = 0; i < n; i++) {
        double v = 65535 * (nrxi_ct_get(data, dtype, i) - lo) / (hi > lo ? hi - lo : 1);
        unsigned u = v > 0 ? v < 65535 ? (unsigned)(v + 0.5) : 65535u : 0u;
        p[2 * i] = (unsigned char)(u >> 8);
        p[2 * i + 1] = (unsigned char)(u & 255u);
    }
    status = nrxi_file_write(path, head, (size_t)(t.at - head), p, 2 * n, env);
    nrxi_free(env, p);
    return status;
}

NRX_DEF nrx_status nrx_ct_image_save(const char *path, int dtype, const void *data, const size_t shape[3], const double spacing[3], double lo, double hi,
                                     const nrx_env *env)
{
    static const char endings[5][5] = {".npy", ".tif", ".mha", ".pgm", ".raw"};
    size_t n, k, length;
    unsigned char *p;
    nrx_status status;
    if (!path || !data || !shape || (dtype != NRX_F32 && dtype != NRX_F64)) return nrxi_fail(env, NRX_E_ARG, "nrx_ct_image_save: an argument is NULL, or dtype %d", dtype);
    if (!nrxi_mul_ok(shape[0], shape[1], &n) || !nrxi_mul_ok(n, shape[2], &n) || n == 0 || n > (size_t)-1 / 16)
        return nrxi_fail(env, NRX_E_SHAPE, "nrx_ct_image_save: %zu x %zu x %zu pixels", shape[0], shape[1], shape[2]);
    length = strlen(path);
    for (k = 0; k < 5 && (length < 4 || strcmp(path + length - 4, endings[k]) != 0); k++) { }
    switch (k) {
    case 0: return shape[0] == 1 ? nrxi_npy_save(path, dtype, data, shape + 1, 2, env) : nrxi_npy_save(path, dtype, data, shape, 3, env);
    case 1: return nrxi_ct_tiff_save(path, dtype, data, shape, env);
    case 2: return nrxi_ct_meta_save(path, dtype, data, shape, spacing, env);
    case 3: return nrxi_ct_pgm_save(path, dtype, data, shape, lo, hi, env);
    case 4: break;
    default: return nrxi_fail(env, NRX_E_ARG, "nrx_ct_image_save: %s ends in none of .npy .tif .mha .pgm .raw", path);
    }
    p = nrxi_ct_f32_bytes(n, dtype, data, 0, &k, env);
    if (!p) return nrxi_fail(env, NRX_E_NOMEM, "nrx_ct_image_save: no memory for a copy");
    status = nrxi_file_write(path, NULL, 0, p, k, env);
    nrxi_free(env, p);
    return status;
}

NRX_DEF const char *nrx_ct_version(void) { return NRX_CT_VERSION; }

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
