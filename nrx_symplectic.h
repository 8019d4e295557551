/* nrx_symplectic.h - v0.1.0 - Hamiltonian systems, geometric integrators, learned symplectic flows (SympFlow)
   SPDX-License-Identifier: MIT-0 OR Unlicense

   DO THIS in one .c or .cpp file of your program (and include the header plainly elsewhere):
       #define NRX_SYMPLECTIC_IMPLEMENTATION
       #include "nrx_symplectic.h"

   A COMPLETE PROGRAM   cc -O2 example.c -lm
 * >>> example
 *  #define NRX_SYMPLECTIC_IMPLEMENTATION
 *  #include "nrx_symplectic.h"
 *  #include <stdio.h>
 *  int main(void)
 *  {
 *      nrx_sym_system kepler = nrx_sym_kepler();     // H = p^2/2 - 1/|q|; your own: a struct
 *      double z[4] = { 0.4, 0.0, 0.0, 2.0 };         // q1, q2, p1, p2: an ellipse of eccentricity 0.6
 *      nrx_sym_desc desc = NRX_ZERO;                 // zero = good defaults
 *      nrx_sym_info info;
 *      desc.every = 100;                             // look at the energy every 100 steps
 *      if (nrx_sym_integrate(&kepler, NRX_SYM_KAHAN_LI8, z, 0.05, 20000, &desc, &info) != NRX_OK) return 1;
 *      printf("t = %g: q = (%.6f, %.6f), max |H - H0| = %.1e\n", info.t, z[0], z[1], info.max_energy_error);
 *      return 0;
 *  }
 * <<< example

   WHAT IT DOES
     systems       a struct of callbacks, and ready ones: oscillator, pendulum, double pendulum,
                   Henon-Heiles, Kepler, N bodies (outer solar system, figure-eight), FPUT chain, Tao's
                   problem, damped oscillator in doubled variables, charged particle, rigid body
     explicit      symplectic Euler, Verlet, Ruth, Forest-Ruth, PEFRL, McLachlan, Blanes-Moan, Kahan-Li,
                   Yoshida, orders 1 to 10; Runge-Kutta-Nystrom types; every coefficient checked by observed
                   order
     implicit      midpoint, Gauss 2 to 8, Lobatto IIIA-IIIB: fixed point or Newton, to round-off
     any H         Tao's doubled phase space, its symmetric projection (symplectic in the original variables)
     N bodies      Wisdom-Holman with correctors, SABA; Kepler arcs in universal variables
     more          constraints (SHAKE, RATTLE), r-RESPA, Langevin BAOAB, Boris, rigid-body splitting, time
                   transformation, MEGNO, variational equations, gradients by reversal, dense output, events,
                   Poincare sections, batches in SIMD, compensated sums, bit-reversible lattice
     learned       SympFlow with its exact Hamiltonian, LA- and G-SympNets, HenonNet, HNN, generating
                   functions, an MLP to compare; hand-derived gradients, training, .safetensors files,
                   a-posteriori energy bound
     evidence      nrx_sym_check: symplecticity, determinant, symmetry, reversibility and observed order of
                   any map
   WHAT IT DOES NOT
     adaptive non-symplectic solvers (nrx_dynsys.h), dissipation other than by doubling or Langevin,
     collisions

   CONVENTIONS  z = [q_1 .. q_d, p_1 .. p_d]; q' = dH/dp, p' = -dH/dq. Trajectories are [time][2d], batches
     [2d][lanes], rows of learned maps [n][2d]. Everything is f64. Zero in a descriptor means the documented
     default; a NULL descriptor means all of them.
   CHOOSING  quadratic T: VERLET for speed, SRKN6B (order 4), SRKN11B (6), KAHAN_LI8 (8). General T(p):
     BLANES_MOAN4, KAHAN_LI6, KAHAN_LI8. H not separable: GAUSS4 .. GAUSS8, SEMI_EXPLICIT. Planets:
     WISDOM_HOLMAN, SABA1064. Long runs: desc.roundoff = NRX_SYM_COMPENSATED.
   ERRORS  every call that can fail returns nrx_status; the reason goes as one line to NRX_LOG or
     desc.env.log. Argument errors come before the first write. A failure on the way (not finite, no
     convergence, a callback that returns a status) leaves the last good state in z and its time in
     nrx_sym_info. A method that cannot do a system refuses with NRX_E_UNSUPPORTED.
   MEMORY  nrx_sym_integrate allocates its workspace once, or takes yours (desc.work). Learned flows allocate
     when created; evaluating and differentiating them does not (HNN: one workspace per call). desc.env.alloc
     replaces the allocator.
   THREADS  no globals. Any number of integrations at once on distinct states; one thread per nrx_sym_flow.
     Batches run in parallel over blocks of 64 lanes (OpenMP, or desc.env.parallel_for) with the same result
     for any number of threads.
   DETERMINISM  the same bits for the same build and processor. Under NRX_REPRODUCIBLE the explicit methods
     (scalar path, no contraction; systems whose gradient needs only + - * / and square roots) give the same
     bits on every platform; your own callbacks must be compiled without contraction for that
     (-ffp-contract=off).
   COST  per step: `stages` forces and O(d) additions; a callback costs about 10 ns. Small systems:
     NRX_SYM_HOOK inlines the force.

   CONFIGURATION, before the first include
     NRX_STATIC            everything static, implementation included
     NRX_MALLOC(n), NRX_REALLOC(p, n), NRX_FREE(p)   all three or none
     NRX_LOG(line)         one line per error; NRX_VERBOSE sends it to stderr
     NRX_NO_STDIO          no files, no stderr
     NRX_NO_SIMD           scalar code only
     NRX_REPRODUCIBLE      see above
   Never compile this header with -ffast-math when you want compensated sums: they are then optimised away.
*/
#if defined(NRX_STATIC) && defined(NRX_LINKAGE_) && NRX_LINKAGE_ != 1
#error "NRX_STATIC must be defined before the first nrx include of this translation unit"
#endif
#ifndef NRX_SYMPLECTIC_H
#define NRX_SYMPLECTIC_H
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

#define NRX_SYMPLECTIC_VERSION "0.1.0"

/* Version of the implementation that was linked, "major.minor.patch". */
NRX_DEF const char *nrx_sym_version(void);

/* ==== Hamiltonian systems ==== */

/* What H looks like. A method that needs more than the system promises refuses with NRX_E_UNSUPPORTED. */
enum {
    NRX_SYM_GENERAL = 0,    /* H(t, q, p), nothing known                                                  */
    NRX_SYM_SEPARABLE = 1,  /* H = T(p) + V(t, q)                                                         */
    NRX_SYM_QUADRATIC = 2,  /* H = T(p) + V(t, q), T a quadratic form: the RKN methods may be used        */
    NRX_SYM_NEWTON = 3      /* H = sum p_i^2 / (2 m_i) + V(t, q): dp is not called, `inverse_mass` is used */
};

/* A callback: g = dH/dq or dH/dp, d numbers. For separable systems dH/dq may not look at p, nor dH/dp at
   q. A status other than NRX_OK stops the integration at the last good state; so does a result that is not
   finite. */
typedef nrx_status (*nrx_sym_grad_fn)(void *user, double t, const double *q, const double *p, double *g);

/* The closed inner loop of a small system, made by NRX_SYM_HOOK below; not meant to be called directly. */
struct nrx_sym_scheme;
typedef nrx_status (*nrx_sym_hook_fn)(void *user, const struct nrx_sym_scheme *scheme, double t0, double h,
    size_t first, size_t steps, size_t lanes, double *z, double *carry);

/* N bodies under Newtonian attraction in `dim` = 2 or 3 dimensions: q = positions [body][dim], p = momenta
   m v [body][dim]. H = sum p^2/(2m) - G sum_{i<j} m_i m_j / |q_i - q_j|. At most 1024 bodies; masses > 0. */
typedef struct nrx_sym_nbody {
    size_t bodies;
    size_t dim;                /* 2 or 3; 0 = 3 */
    double G;                  /* 0 = 1 */
    const double *mass;        /* [bodies]; for Wisdom-Holman body 0 is the star and the others go outwards */
} nrx_sym_nbody;

/* A Hamiltonian system with d degrees of freedom. The state is z = [q_1 .. q_d, p_1 .. p_d] everywhere in
   this header. */
typedef struct nrx_sym_system {
    size_t d;
    int structure;                  /* NRX_SYM_GENERAL ... */
    nrx_sym_grad_fn dq;             /* dH/dq: always needed */
    nrx_sym_grad_fn dp;             /* dH/dp: needed unless structure is NRX_SYM_NEWTON */
    /* NULL = not reported */
    nrx_status (*energy)(void *user, double t, const double *q, const double *p, double *H);
    /* w = H''(t, z) v, all [2d]; NULL: differences of the gradients where a Hessian is wanted (8 digits). */
    nrx_status (*hess)(void *user, double t, const double *q, const double *p, const double *v, double *w);
    const double *inverse_mass;     /* [d], NRX_SYM_NEWTON only; NULL = all 1 */
    nrx_sym_hook_fn hook;           /* inlined loop for NRX_SYM_NEWTON with unit masses; NULL = none */
    const nrx_sym_nbody *nbody;     /* set by nrx_sym_nbody_system; Wisdom-Holman needs it */
    void *user;
} nrx_sym_system;

/* Ready systems. `user` data given by pointer must outlive the system. All have energy and Hessian. */
/* d = 1: (p^2 + q^2)/2 */
NRX_DEF nrx_sym_system nrx_sym_oscillator(void);
/* d = 1: p^2/2 - cos q */
NRX_DEF nrx_sym_system nrx_sym_pendulum(void);
/* d = 2: (p^2+q^2)/2 + q1^2 q2 - q2^3/3 (1964); bounded below 1/6 */
NRX_DEF nrx_sym_system nrx_sym_henon_heiles(void);
NRX_DEF nrx_sym_system nrx_sym_kepler(void); /* d = 2: p^2/2 - 1/|q|                                        */
/* d = 2, general: equal masses and lengths 1, g = 1 */
NRX_DEF nrx_sym_system nrx_sym_double_pendulum(void);
NRX_DEF nrx_sym_system nrx_sym_tao(void); /* d = 1, general: (q^2+1)(p^2+1)/2 (Tao 2016)                 */
/* d = 1, separable, T not quadratic: sqrt(1+p^2) - cos q */
NRX_DEF nrx_sym_system nrx_sym_relativistic_pendulum(void);
/* d = 2: m x'' + damping x' + k x = 0 (m = k = 1) as H = (p1^2-p2^2)/2 + l/2 (q1-q2)(p1-p2) +
   (q1^2-q2^2)/2; the physical motion is on q1 = q2, p1 = -p2 (Bateman 1931, Galley 2013). `damping` points
   to l >= 0. */
NRX_DEF nrx_sym_system nrx_sym_damped_oscillator(const double *damping);
/* d = 2: charge and mass 1 in the plane, uniform field B: |p - A|^2/2 + k|q|^2/2, A = B(-q2, q1)/2. field
   = {B, k}. */
NRX_DEF nrx_sym_system nrx_sym_charged_particle(const double field[2]);
/* d = 3: free rigid body in Euler angles q = (phi, theta, psi) (z-x-z) and conjugate momenta; general;
   singular at sin(theta) = 0. inertia = {I1, I2, I3} > 0. For the body-frame equations see
   nrx_sym_rigid_body_steps. */
NRX_DEF nrx_sym_system nrx_sym_rigid_body(const double inertia[3]);

/* Fermi-Pasta-Ulam-Tsingou chain with fixed ends: sum p^2/2 + sum_i s_i^2/2 + alpha s_i^3/3 + beta
   s_i^4/4, s_i = q_{i+1}-q_i. */
typedef struct nrx_sym_fput_chain { size_t n; double alpha, beta; } nrx_sym_fput_chain;
NRX_DEF nrx_status nrx_sym_fput(const nrx_sym_fput_chain *chain, nrx_sym_system *system);

/* Newtonian N-body problem over `bodies` (kept by pointer). NRX_E_ARG for a bad count, dimension or mass. */
NRX_DEF nrx_status nrx_sym_nbody_system(const nrx_sym_nbody *bodies, nrx_sym_system *system);
/* Sun, Jupiter, Saturn, Uranus, Neptune, Pluto (Hairer, Lubich, Wanner, "Geometric Numerical Integration",
   I.2.4): AU, days, solar masses; z0 [36] starts with the Sun at rest in the origin. *bodies is filled and
   stays yours. */
NRX_DEF nrx_status nrx_sym_outer_solar_system(nrx_sym_nbody *bodies, nrx_sym_system *system, double z0[36]);
/* Three equal masses in the plane on the figure-eight (Chenciner, Montgomery 2000); z0 [12]; period
   6.32591398292621. */
NRX_DEF nrx_status nrx_sym_figure_eight(nrx_sym_nbody *bodies, nrx_sym_system *system, double z0[12]);

/* E = H(t, z). NRX_E_UNSUPPORTED when the system has no energy. */
NRX_DEF nrx_status nrx_sym_energy(const nrx_sym_system *system, double t, const double *z, double *E);
/* The vector field (dH/dp, -dH/dq) of the system as a door; *system must outlive it. */
NRX_DEF nrx_status nrx_sym_vfield(const nrx_sym_system *system, nrx_vfield *field);

/* Free rigid body in the body frame: angular momentum m[3], attitude as unit quaternion (w, x, y, z) or
   NULL. `steps` symmetric compositions of three exact rotations (McLachlan 1993, Reich 1994), raised by
   the weights of `compose` (0 = order 2, or a composition method such as NRX_SYM_KAHAN_LI8). |m| is kept
   to round-off; no step size is unstable. */
NRX_DEF nrx_status nrx_sym_rigid_body_steps(
    const double inertia[3], double m[3], double quaternion[4], double h, size_t steps, int compose);
/* Boris' method for a charge (charge/mass 1) in fields: x[3], v[3] at the same time, `steps` steps x-half,
   v, x-half. field gives E(t, x) and B(t, x), [3] each. Volume preserving, not symplectic (Qin et al.
   2013). */
NRX_DEF nrx_status nrx_sym_boris(void (*field)(void *user, double t, const double *x, double *E, double *B),
    void *user, double t0, double h, size_t steps, double x[3], double v[3]);

/* ==== methods ==== */

/* X(name, text). Splitting methods need a separable system; those marked RKN have their order for
   quadratic T only. */
#define NRX_SYM_METHODS(X) \
    X(VERLET, "verlet")                    /* order 2, drift-kick-drift; 1 force per step */ \
    X(VERLET_KDK, "verlet_kdk")            /* order 2, kick-drift-kick (velocity Verlet); 1 force */ \
    X(EULER_A, "euler_a")                  /* order 1, kick then drift (symplectic Euler) */ \
    X(EULER_B, "euler_b")                  /* order 1, drift then kick */ \
    X(MCLACHLAN_ATELA2, "mclachlan_atela2")  /* order 2, 2 forces */ \
    X(MCLACHLAN_S2, "mclachlan_s2")        /* order 2, 2 forces, small error constant */ \
    X(RUTH3, "ruth3")                      /* order 3, 3 forces */ \
    X(MCLACHLAN_ATELA3, "mclachlan_atela3")  /* order 3, 3 forces */ \
    X(FOREST_RUTH, "forest_ruth")          /* order 4, 3 forces (= Yoshida 4) */ \
    X(SUZUKI4, "suzuki4")                  /* order 4, 5 forces */ \
    X(PEFRL, "pefrl")                      /* order 4, 4 forces (Omelyan, Mryglod, Folk 2002) */ \
    X(VEFRL, "vefrl")                      /* order 4, 4 forces */ \
    X(MCLACHLAN_ATELA4, "mclachlan_atela4")  /* order 4 RKN, 4 forces */ \
    X(MCLACHLAN_S4, "mclachlan_s4")        /* order 4, 4 forces */ \
    X(MCLACHLAN_S5, "mclachlan_s5")        /* order 4, 5 forces */ \
    X(SB3A5, "sb3a5")                      /* order 4, 5 forces (McLachlan 1995) */ \
    X(BLANES_MOAN4, "blanes_moan4")        /* order 4, 6 forces (S6) */ \
    X(SRKN6B, "srkn6b")                    /* order 4 RKN, 6 forces (Blanes, Moan 2002): best of order 4 */ \
    X(MCLACHLAN_ATELA5, "mclachlan_atela5")  /* order 5 RKN, 6 forces */ \
    X(YOSHIDA6, "yoshida6")                /* order 6, 7 forces */ \
    X(KAHAN_LI6, "kahan_li6")              /* order 6, 9 forces */ \
    X(MCLACHLAN_SS9, "mclachlan_ss9")      /* order 6, 9 forces */ \
    X(BLANES_MOAN6, "blanes_moan6")        /* order 6, 10 forces (S10) */ \
    X(SRKN11B, "srkn11b")                  /* order 6 RKN, 11 forces: the best of order 6 */ \
    X(SRKN14A, "srkn14a")                  /* order 6 RKN, 14 forces */ \
    X(YOSHIDA8, "yoshida8")                /* order 8, 15 forces */ \
    X(KAHAN_LI8, "kahan_li8")              /* order 8, 17 forces: the best of order 8 */ \
    X(MCLACHLAN_SS17, "mclachlan_ss17")    /* order 8, 17 forces */ \
    X(SOFRONIOU_SPALETTA10, "sofroniou_spaletta10") /* order 10, 35 forces */ \
    X(MIDPOINT, "midpoint")                /* implicit midpoint = Gauss, order 2; any H */ \
    X(GAUSS4, "gauss4")                    /* Gauss collocation, 2 stages, order 4; any H */ \
    X(GAUSS6, "gauss6")                    /* 3 stages */ \
    X(GAUSS8, "gauss8")                    /* 4 stages */ \
    X(LOBATTO2, "lobatto2")                /* Lobatto IIIA (q) - IIIB (p) pairs, order 2, 4, 6; any H */ \
    X(LOBATTO4, "lobatto4") \
    X(LOBATTO6, "lobatto6") \
    X(TAO, "tao")                          /* explicit, any H: doubled phase space, bound by omega (2016) */ \
    X(SEMI_EXPLICIT, "semi_explicit")      /* the same with symmetric projection: symplectic in (q, p) */ \
    X(WISDOM_HOLMAN, "wisdom_holman")      /* N-body around a star, Jacobi coordinates; correctors */ \
    X(SABA2, "saba2")                      /* N-body, the same splitting, generalised order (4, 2) */ \
    X(SABA1064, "saba1064")                /* generalised order (10, 6, 4), 8 stages */ \
    X(RATTLE, "rattle")                    /* holonomic constraints g(q) = 0, NRX_SYM_NEWTON */ \
    X(SHAKE, "shake")                      /* RATTLE without projected momenta (same positions) */ \
    X(RESPA, "respa")                      /* impulse multiple time steps: fast and slow forces */ \
    X(BAOAB, "baoab")                      /* Langevin dynamics (Leimkuhler, Matthews 2013) */ \
    X(RK4, "rk4")                          /* not symplectic: for comparison */ \
    X(EXPLICIT_EULER, "explicit_euler")    /* not symplectic: for comparison */
enum {
#define NRX_X_(name, text) NRX_SYM_##name,
    NRX_SYM_METHODS(NRX_X_)
#undef NRX_X_
    NRX_SYM_METHOD_COUNT
};

/* The coefficients of a splitting method. One step is: drift a[0], kick b[0], drift a[1], ..., kick
   b[stages-1], drift a[stages] (times h); zero drifts cost nothing. c[i] = a[0] + .. + a[i] is the time of
   kick i. */
typedef struct nrx_sym_scheme {
    int stages;
    int order;                /* for quadratic T */
    int order_general;        /* for general T(p) */
    int symmetric;
    double a[36], b[36], c[36];
    int weights;              /* symmetric compositions: their number of weights, else 0 */
    double w[36];
} nrx_sym_scheme;

/* The text name of a method ("kahan_li8"), NULL if there is no such number; and back, -1 if unknown. */
NRX_DEF const char *nrx_sym_method_name(int method);
NRX_DEF int nrx_sym_method_find(const char *name);
/* The order of a method for this system (compose as in nrx_sym_desc), 0 if it cannot be applied to it. */
NRX_DEF int nrx_sym_method_order(const nrx_sym_system *system, int method, int compose);
/* Coefficients of a splitting method. NRX_E_UNSUPPORTED for other methods. Cost: some hundred additions. */
NRX_DEF nrx_status nrx_sym_scheme_get(int method, nrx_sym_scheme *scheme);

/* ==== integration ==== */

enum { NRX_SYM_PLAIN = 0,
       /* updates of q and p by compensated sums (Kahan 1965): explicit and Gauss methods */
       NRX_SYM_COMPENSATED = 1,
       NRX_SYM_LATTICE = 2        /* q, p on integers: reversible bit for bit (Levesque, Verlet 1993) */ };
enum { NRX_SYM_SOLVE_AUTO = 0, NRX_SYM_SOLVE_FIXED_POINT = 1, NRX_SYM_SOLVE_NEWTON = 2 };

/* m constraints g(q) = 0. */
typedef struct nrx_sym_constraints {
    size_t m;
    nrx_status (*g)(void *user, const double *q, double *g);         /* [m] */
    nrx_status (*jac)(void *user, const double *q, double *G);       /* dg/dq [m][d] */
    void *user;
} nrx_sym_constraints;

/* Everything zero is a good start; NULL for a nrx_sym_desc means that. */
typedef struct nrx_sym_desc {
    double t0;                        /* time of the given state */
    int roundoff;                     /* NRX_SYM_PLAIN, _COMPENSATED, _LATTICE */
    /* spacing of the lattice; 0 = 2^-48: then |q|, |p| < 32 (2^53 spacings), else NRX_E_RANGE */
    double lattice;
    double *carry; /* [2d] low-order parts, kept between calls; NULL = dropped at the end */
    int compose;                      /* order raising of order-2 methods (midpoint, Tao, semi-explicit,
    Wisdom-Holman,
                                         RATTLE): a composition such as NRX_SYM_FOREST_RUTH, SUZUKI4,
                                         YOSHIDA6, KAHAN_LI6,
                                         KAHAN_LI8, SOFRONIOU_SPALETTA10; 0 = none */
    double omega;                     /* Tao: binding of the copies; 0 = 20 */
    int solver; /* implicit methods: NRX_SYM_SOLVE_... (auto: fixed point, Newton if it stalls) */
    int max_iterations;               /* implicit methods and constraints, per step; 0 = 50 */
    int corrector;                    /* Wisdom-Holman: order of the symplectic corrector, 0, 3, 5, 7, 11, 17 */

    /* Output: the state after steps `every`, 2 every, ... (0 = never), as rows [2d] of `out` and/or
       through `observe`; a non-zero return stops. Looking does not change the trajectory by a bit. */
    size_t every;
    double *out;
    size_t out_rows;                  /* capacity of out */
    int (*observe)(void *user, size_t step, double t, const double *z);
    void *observe_user;
    /* Dense output: states at ascending times[] within the interval -> dense [times][2d], by one
       fractional step each. */
    const double *times;
    size_t times_count;
    double *dense;
    /* Events: zeros of event(t, z) crossed upwards (+1), downwards (-1) or both (0), located to round-off
       by fractional steps and given to on_event with their number; a non-zero return stops. */
    double (*event)(void *user, double t, const double *z);
    int (*on_event)(void *user, size_t index, double t, const double *z);
    void *event_user;
    int event_direction;
    /* Variational equations: `tangents` vectors [2d], carried along in place (splitting, Gauss and
       midpoint methods). */
    double *tangent;
    size_t tangents;

    nrx_sym_constraints constraints;  /* RATTLE */
    nrx_sym_grad_fn fast; /* RESPA: gradient of the fast part of V; system->dq is that of all of V */
    size_t substeps;                  /* RESPA: inner steps per step; 0 = 8 */
    double friction, temperature;     /* BAOAB: friction gamma, k_B T */
    uint64_t seed;                    /* BAOAB: Philox seed; the trajectory is a function of it */

    double *work; /* workspace of nrx_sym_workspace_size doubles; NULL = allocated by the call */
    size_t work_size;
    nrx_env env;                      /* progress: done/total in steps, value = time */
} nrx_sym_desc;

/* What happened; filled even when the call fails. */
typedef struct nrx_sym_info {
    size_t steps;                     /* full steps done: z belongs to the end of the last of them */
    double t;                         /* time of z */
    double energy0, energy1;          /* H at both ends; 0 if the system has no energy */
    double max_energy_error;          /* max |H - energy0| over the ends and the outputs of `every` */
    size_t iterations;                /* implicit methods: in all */
    size_t events;
    size_t dense_rows, out_rows;      /* rows written */
    int stopped;                      /* 1 if observe or on_event stopped it */
    double defect;                    /* Tao: distance of the two copies; RATTLE: max |g| */
} nrx_sym_info;

/* Doubles of workspace that nrx_sym_integrate needs for this problem; 0 on overflow or a bad argument. */
NRX_DEF size_t nrx_sym_workspace_size(const nrx_sym_system *system, int method, const nrx_sym_desc *desc);

/* `steps` steps of size h (negative: backwards) from z [2d], in place. desc and info may be NULL.
   NRX_E_ARG: NULL, h zero or not finite, odd shapes; NRX_E_UNSUPPORTED: the method cannot do this system;
   NRX_E_NUMERIC: not finite, singular, or an implicit solve that does not converge; NRX_E_CANCELLED: by
   progress. On failure z is the last good state and info tells its time. Not finite input is refused.
   Thread-safe for distinct z. */
NRX_DEF nrx_status nrx_sym_integrate(const nrx_sym_system *system, int method, double *z, double h,
    size_t steps, const nrx_sym_desc *desc, nrx_sym_info *info);

/* The same for `lanes` independent states at once, z [2d][lanes] (structure of arrays), splitting methods.
   With a hook on the system eight lanes or more go through SIMD registers; without one each lane is
   integrated by itself. Uses desc->t0, ->roundoff (plain only with a hook) and ->env (parallel over blocks
   of 64 lanes, progress). A lane that leaves the finite numbers spoils only itself: it is left there, and
   the status is NRX_E_NUMERIC. */
NRX_DEF nrx_status nrx_sym_integrate_batch(const nrx_sym_system *system, int method, double *z, size_t lanes,
    double h, size_t steps, const nrx_sym_desc *desc);

/* Gradient of a function L of the final state, by running the exact reverse of a splitting method: O(1)
   memory in the number of steps. On entry z [2d] is the final state and lambda [2d] = dL/dz there; on
   return z is the initial state (to round-off; to the bit with NRX_SYM_LATTICE, for the trajectory that
   was integrated so) and lambda = dL/dz0. Since M^T = J M^-1 J^-1 the adjoint is a tangent vector carried
   backwards. dtheta [ntheta] (or NULL) is increased by dL/dtheta for the parameters theta of H: `dparam`
   adds  d/dtheta ( u . grad H(t, z) )  for u [2d] to it. h and steps as in the forward call. */
NRX_DEF nrx_status nrx_sym_gradient(const nrx_sym_system *system, int method, double *z, double h,
    size_t steps, double *lambda,
    nrx_status (*dparam)(void *user, double t, const double *z, const double *u, double *dtheta),
    double *dtheta, const nrx_sym_desc *desc);

/* Poincare section: up to `count` crossings of z[coordinate] = value in `direction` (+1, -1, 0 = both)
   within max_steps steps. rows [count][2d+1]: time and state. *found = how many; z ends at the last full
   step. Crossings are located by fractional steps of the same method, hence to its accuracy. */
NRX_DEF nrx_status nrx_sym_poincare(const nrx_sym_system *system, int method, double *z, double h,
    size_t max_steps, size_t coordinate, double value, int direction, double *rows, size_t count,
    size_t *found, const nrx_sym_desc *desc);

/* MEGNO (Cincotta, Simo 2000) from one tangent vector drawn from `seed`: *megno = <Y>: 2 for regular
   orbits, lambda t/2 for chaotic ones; *lyapunov (or NULL) = the largest exponent. z [2d] in place.
   Splitting, midpoint and Gauss methods. */
NRX_DEF nrx_status nrx_sym_megno(const nrx_sym_system *system, int method, double *z, double h, size_t steps,
    uint64_t seed, double *megno, double *lyapunov, const nrx_sym_desc *desc);

/* Variable steps that keep the long-time behaviour. */
enum {
    /* h = eps * sigma(z), reversible step density (Hairer, Soderlind 2005), symmetric method */
    NRX_SYM_STEP_DENSITY = 0,
    /* leapfrog for log(T - E0) - log(-V), V < 0 (Mikkola, Tanikawa 1999); Kepler: only phase errors */
    NRX_SYM_LOG_HAMILTONIAN = 1
};
typedef struct nrx_sym_adapt {
    int kind;
    /* sigma(z) > 0 and, in grad [2d], its gradient; NULL = |q|^(3/2), right for Kepler-like problems. */
    nrx_status (*sigma)(void *user, const double *z, double *value, double *grad);
    void *user;
} nrx_sym_adapt;
/* `steps` steps with parameter eps from z in place; stops at the first step that passes t_end (if t_end >
   t0). info->t is the time reached. The logarithmic Hamiltonian needs NRX_SYM_SEPARABLE or better with an
   energy; method is then ignored. */
NRX_DEF nrx_status nrx_sym_integrate_adaptive(const nrx_sym_system *system, int method,
    const nrx_sym_adapt *adapt, double *z, double eps, size_t steps, double t_end, const nrx_sym_desc *desc,
    nrx_sym_info *info);

/* One Kepler arc: r[dim], v[dim] moved by dt around a mass mu > 0 in the origin (universal variables; any
   conic, dt of any sign). NRX_E_NUMERIC if r = 0 or the solve breaks down; then r and v are unchanged. */
NRX_DEF nrx_status nrx_sym_kepler_arc(double mu, double dt, size_t dim, double *r, double *v);

/* ==== self-check ==== */

/* A one-parameter family of maps of R^n, n even = 2d, as z = [q, p]: y = map_h(x). x and y may be the
   same. */
typedef struct nrx_sym_map {
    size_t n;
    nrx_status (*apply)(void *user, double h, const double *x, double *y);
    /* w [k][n] = M v for k vectors v [k][n] at x; w may be v. NULL: extrapolated differences. */
    nrx_status (*tangent)(void *user, double h, const double *x, size_t k, const double *v, double *w);
    void *user;
} nrx_sym_map;

typedef struct nrx_sym_report {
    double symplectic;        /* max |M^T J M - J| / |M|^2, |M| = max row sum of M                          */
    double determinant;       /* |det M - 1|                                                                */
    double symmetry;          /* max |map_{-h}(map_h(x)) - x|                                               */
    double reversibility;     /* max |R map_h(R map_h(x)) - x|, R = (q, p) -> (q, -p)                       */
    double norm;              /* |M|                                                                        */
    double order;             /* observed order against `exact` (or against the finest of the family)       */
    double errors[6];         /* the errors from which it comes, at steps h, h/2, ...                       */
    int symplectic_ok;        /* symplectic < 1e-12 (tangent given) or 1e-9 (differences)                   */
} nrx_sym_report;

typedef struct nrx_sym_check_desc {
    double h;                 /* step; 0 = 0.1 */
    double span; /* time over which the order is observed; 0 = 10 h. It is cut into steps h, h/2, ... */
    int halvings;             /* 0 = 3, at most 5; negative: no order */
    const double *exact;      /* [n] exact state at `span`, or NULL: the order comes from differences */
    nrx_env env;
} nrx_sym_check_desc;

/* Checks a map, classical or learned, at the state x [n]. NRX_E_SHAPE for odd n, NRX_E_NUMERIC if the map
   is not finite. */
NRX_DEF nrx_status nrx_sym_check(const nrx_sym_map *map, const double *x, const nrx_sym_check_desc *desc,
    nrx_sym_report *report);

/* One step of a method as a map. `storage` must outlive it. For NRX_SYM_TAO the map is that of the doubled
   space, n = 4d, as [q, x, p, y]: there it is symplectic. */
typedef struct nrx_sym_method_map_storage {
    nrx_sym_system system;
    nrx_sym_desc desc;
    int method;
} nrx_sym_method_map_storage;
NRX_DEF nrx_status nrx_sym_method_map(const nrx_sym_system *system, int method, const nrx_sym_desc *desc,
    nrx_sym_method_map_storage *storage, nrx_sym_map *map);

/* ==== learned flows ==== */

/* Kinds of learned maps psi_t: R^{2d} -> R^{2d}. All but the MLP are symplectic for every value of their
   parameters. */
enum {
    /* kicks and drifts by time-dependent MLP potentials (Canizares et al., arXiv 2412.16787) */
    NRX_SYM_NET_SYMPFLOW = 0,
    /* LA-SympNet: linear and activation shears (Jin et al., arXiv 2001.03750) */
    NRX_SYM_NET_LA = 1,
    /* G-SympNet: gradient shears (same paper) */
    NRX_SYM_NET_G = 2,
    /* HenonNet: four Henon maps per layer (Burby et al., arXiv 2007.04496); t is not used */
    NRX_SYM_NET_HENON = 3,
    /* Hamiltonian network H(z) (Greydanus et al., arXiv 1906.01563), stepped by Gauss 4 */
    NRX_SYM_NET_HNN = 4,
    /* generating function q.P + t S(q, P) (Chen, Tao, arXiv 2103.05632), solved for P */
    NRX_SYM_NET_GENERATING = 5,
    /* baseline, not symplectic: x + tanh(t) MLP(x, t) */
    NRX_SYM_NET_MLP = 6
};
enum { NRX_SYM_TANH = 0, NRX_SYM_SIN = 1, NRX_SYM_SIGMOID = 2, NRX_SYM_SWISH = 3, NRX_SYM_LOGCOSH = 4 };

typedef struct nrx_sym_flow_desc {
    size_t d;                 /* degrees of freedom, >= 1 */
    int kind;                 /* NRX_SYM_NET_... */
    size_t layers; /* SympFlow: L pairs kick, drift; LA: linear blocks; G: shears; Henon: layers; 0 = 3 */
    size_t width;             /* hidden width H, ridge functions of G and Henon; 0 = 10; at most 1024 */
    size_t sublayers;         /* LA: shears of a linear block; 0 = 5 */
    int activation; /* NRX_SYM_TANH ...; LA, G and Henon nets take it for their sigma (published: sigmoid) */
    int project; /* SympFlow on doubled variables: 1 = project the output to q1 = q2, p1 = -p2 (d even) */
    uint64_t seed;            /* of the initial parameters; the same seed gives the same network */
    nrx_env env;
} nrx_sym_flow_desc;

/* A learned map: parameters, gradients and a workspace, so that evaluation does not allocate. One thread
   per object. */
typedef struct nrx_sym_flow nrx_sym_flow;

NRX_DEF nrx_status nrx_sym_flow_create(const nrx_sym_flow_desc *desc, nrx_sym_flow **flow);
NRX_DEF void nrx_sym_flow_destroy(nrx_sym_flow *flow);      /* NULL is fine */
/* The descriptor with its defaults filled in. */
NRX_DEF nrx_sym_flow_desc nrx_sym_flow_info(const nrx_sym_flow *flow);
/* All parameters as one array, in the order of the list; *count = their number. */
NRX_DEF double *nrx_sym_flow_values(nrx_sym_flow *flow, size_t *count);
NRX_DEF double *nrx_sym_flow_grads(nrx_sym_flow *flow);
/* The parameters as blocks (name, value, grad) for any optimizer; *count = number of blocks. They live as
   long as the flow. */
NRX_DEF nrx_param *nrx_sym_flow_params(nrx_sym_flow *flow, size_t *count);

/* y_i = psi_{t_i}(x_i) for n rows x [n][2d], times t [n]; y may be x. Cost per row of SympFlow: 4L
   potential gradients. */
NRX_DEF nrx_status nrx_sym_flow_eval(nrx_sym_flow *flow, size_t n, const double *t, const double *x,
    double *y);
/* x_i with psi_{t_i}(x_i) = y_i, exactly (to round-off). NRX_E_UNSUPPORTED for the MLP and for projected
   flows. */
NRX_DEF nrx_status nrx_sym_flow_inverse(nrx_sym_flow *flow, size_t n, const double *t, const double *y,
    double *x);
/* Value and time derivative: y = psi_t(x), ydot = d/dt psi_t(x). SympFlow and MLP. */
NRX_DEF nrx_status nrx_sym_flow_rate(nrx_sym_flow *flow, size_t n, const double *t, const double *x,
    double *y, double *ydot);
/* y = psi_t(x), w = D psi_t(x) v for n rows. */
NRX_DEF nrx_status nrx_sym_flow_tangent(
    nrx_sym_flow *flow, size_t n, const double *t, const double *x, const double *v, double *y, double *w);
/* M [2d][2d] = D psi_t(x) at one point. */
NRX_DEF nrx_status nrx_sym_flow_jacobian(nrx_sym_flow *flow, double t, const double *x, double *M);
/* Reverse mode: for u [n][2d] (= dL/dy) adds dL/dparameters to the gradients, and gives dL/dx (NULL = not
   wanted). */
NRX_DEF nrx_status nrx_sym_flow_vjp(nrx_sym_flow *flow, size_t n, const double *t, const double *x,
    const double *u, double *xbar);
/* Long times: psi(t, x) = psi_s o (psi_dt)^m, t = m dt + s, 0 <= s < dt, dt > 0 (the trained interval). x
   [2d], y [2d]. */
NRX_DEF nrx_status nrx_sym_flow_advance(nrx_sym_flow *flow, double dt, double t, const double *x, double *y);
/* The exact Hamiltonian behind a SympFlow, d/dt psi_t(x) = J grad Hhat(t, psi_t(x)), at points x: H [n]
   and, if not NULL, its gradient [n][2d]. For an HNN the learned H. Backward error analysis by
   composition; see the reference of the kind. */
NRX_DEF nrx_status nrx_sym_flow_hamiltonian(
    nrx_sym_flow *flow, size_t n, const double *t, const double *x, double *H, double *grad);
/* HNN: its Hamiltonian as a system, for any integrator for general H. The flow must outlive it. */
NRX_DEF nrx_status nrx_sym_flow_system(nrx_sym_flow *flow, nrx_sym_system *system);
/* The flow as a map for nrx_sym_check. */
NRX_DEF nrx_status nrx_sym_flow_map(nrx_sym_flow *flow, nrx_sym_map *map);

/* Losses over n rows; each adds its weighted gradient to the parameter gradients unless `weight` is 0
   (then only values). Physics (SympFlow, MLP): *residual = mean over rows and 2d components of (J grad
   H(psi) - d/dt psi)^2 with weights[0], and *matching = mean of (Hhat(t, x) - H(x))^2, for the MLP mean of
   (H(x) - H(psi_t(x)))^2, with weights[1]. Needs a Hessian. */
NRX_DEF nrx_status nrx_sym_flow_loss_physics(nrx_sym_flow *flow, const nrx_sym_system *system, size_t n,
    const double *t, const double *x, const double weights[2], double *residual, double *matching);
/* Data: *loss = mean over rows and components of (psi_t(x) - y)^2. For an HNN y is the measured dz/dt at
   x. */
NRX_DEF nrx_status nrx_sym_flow_loss_data(nrx_sym_flow *flow, size_t n, const double *t, const double *x,
    const double *y, double weight, double *loss);

enum { NRX_SYM_LR_COSINE = 0, NRX_SYM_LR_CONSTANT = 1, NRX_SYM_LR_ONE_CYCLE = 2 };
/* Training with Adam. With `system` alone: physics losses on fresh random points each step; with data:
   data loss. */
typedef struct nrx_sym_train_desc {
    const nrx_sym_system *system;   /* physics, or NULL */
    double low, high;               /* box of every component of x0; both 0 = [-1, 1] */
    void (*sample)(void *user, nrx_rng *rng, double *x);   /* own sampler of one state [2d], NULL = the box */
    void *sample_user;
    double dt;                      /* trained interval; 0 = 1. Times are uniform in [-0.1, dt] */
    double matching;                /* weight of Hamiltonian matching; 0 = none (the residual has weight 1) */

    const double *x, *t, *y;        /* data [rows][2d], [rows], [rows][2d], or NULL */
    size_t rows;

    size_t steps;                   /* optimizer steps; 0 = 10000 */
    size_t batch;                   /* rows per step; 0 = 700 (physics), 512 (data) */
    double lr;                      /* peak learning rate; 0 = 5e-3 */
    double lr_end;                  /* cosine: last learning rate; 0 = lr/1000 */
    int schedule;                   /* NRX_SYM_LR_... */
    double clip;                    /* bound of the gradient norm; 0 = 1; negative = none */
    size_t refine;                  /* L-BFGS iterations after Adam, on points that are drawn once; 0 = none */
    size_t refine_points;           /* physics: points of the refinement; 0 = 2000 */
    size_t test_points;             /* physics: fixed points for the choice of the best model; 0 = 1000 */
    uint64_t seed;
    nrx_env env;                    /* progress: steps, value = loss of the step */
} nrx_sym_train_desc;
typedef struct nrx_sym_train_info {
    size_t steps;
    double loss, residual, matching;   /* of the last step */
    double test; /* physics: residual of the kept parameters on the test points; data: loss on all rows */
    size_t best_step;
    double test_matching;              /* physics: matching of the kept parameters on the test points */
} nrx_sym_train_info;
/* Trains in place; the parameters that did best on the test points, in the last 15 % of the steps or
   during refinement, are kept. Adam alone stays where the noise of its batches leaves it; refinement gains
   another factor. NRX_E_CANCELLED keeps the best so far; a loss that is not finite stops with
   NRX_E_NUMERIC and the last good parameters. */
NRX_DEF nrx_status nrx_sym_flow_train(nrx_sym_flow *flow, const nrx_sym_train_desc *desc,
    nrx_sym_train_info *info);

/* A-posteriori energy bound along psi(., x) to time T in steps of dt: |H(psi(T, x)) - H(x)| <= integral
   |grad H . J grad(Hhat - H)|, by composite Gauss quadrature with 4 * cells points per dt. *bound grows
   along the path; *error = the actual difference. */
NRX_DEF nrx_status nrx_sym_flow_energy_bound(nrx_sym_flow *flow, const nrx_sym_system *system, double dt,
    double T, size_t cells, const double *x, double *bound, double *error);

/* Files: .safetensors (F64; F32 is read too) with the keys of the parameter list and the descriptor in its
   metadata. A flow read from a file of parameters alone (say, saved from PyTorch) needs the descriptor,
   else NULL. Every byte is checked. */
/* nrx_sym_bytes_free */
NRX_DEF nrx_status nrx_sym_flow_save_memory(const nrx_sym_flow *flow, unsigned char **bytes, size_t *size);
NRX_DEF void nrx_sym_bytes_free(const nrx_sym_flow *flow, unsigned char *bytes);
NRX_DEF nrx_status nrx_sym_flow_load_memory(
    const unsigned char *bytes, size_t size, const nrx_sym_flow_desc *desc, nrx_sym_flow **flow);
#if !defined(NRX_NO_STDIO)
NRX_DEF nrx_status nrx_sym_flow_save(const nrx_sym_flow *flow, const char *path);
NRX_DEF nrx_status nrx_sym_flow_load(const char *path, const nrx_sym_flow_desc *desc, nrx_sym_flow **flow);
#endif

/* ==== inline hooks ==== */

/* NRX_SYM_HOOK(name, d, gradient) makes, at file scope, a static function `name` for nrx_sym_system.hook:
   the loops of all splitting methods with your gradient inlined, for one trajectory and for batches. d is
   a constant from 1 to 8; `gradient` is a nrx_sym_grad_fn, best `static inline`. For NRX_SYM_NEWTON with
   unit masses:
       static inline nrx_status my_dq(void *user, double t, const double *q, const double *p, double *g) { ...
       }
       NRX_SYM_HOOK(my_hook, 2, my_dq)      ...      system.dq = my_dq; system.hook = my_hook;
 */
#if (defined(__GNUC__) || defined(__clang__)) && !defined(__TINYC__)
#define NRXI_SYM_TEMPLATE __attribute__((always_inline, unused)) static inline
#else
#define NRXI_SYM_TEMPLATE NRX_INLINE
#endif
#if defined(__GNUC__) && __GNUC__ >= 8 && !defined(__clang__) && !defined(__TINYC__)
#define NRXI_SYM_UNROLL _Pragma("GCC unroll 8")
#else
#define NRXI_SYM_UNROLL
#endif
/* Hooks are made in the user's file, outside NRXI_IMPL_BEGIN: GCC is told there that nothing may be contracted
   (clang has heard it from the core block). */
#if defined(NRX_REPRODUCIBLE) && defined(__GNUC__) && !defined(__clang__) && !defined(__TINYC__)
#define NRXI_SYM_EXACT __attribute__((optimize("fp-contract=off")))
#else
#define NRXI_SYM_EXACT
#endif
enum { NRXI_SYM_HOOK_MAX = 8, NRXI_SYM_LANES = 8 };

#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0
/* x87: sums must be rounded to double before their error can be seen */
typedef volatile double nrxi_sym_rounded;
#else
typedef double nrxi_sym_rounded;
#endif

/* x += dx with the low-order part kept in *c (Kahan's sum; the correction is folded in off the critical
   path). */
NRXI_SYM_TEMPLATE void nrxi_sym_add2(double *x, double *c, double dx)
{
    const nrxi_sym_rounded x0 = *x + *c, low = *c - (x0 - *x), x1 = x0 + dx;
    *c = low + (dx - (x1 - x0));
    *x = x1;
}

NRXI_SYM_TEMPLATE void nrxi_sym_hook_add(size_t d, int compensated, double f, const double *dx, double *x,
    double *c)
{
    size_t j;
    NRXI_SYM_UNROLL
    for (j = 0; j < d; j++) {
        if (compensated) nrxi_sym_add2(&x[j], &c[j], f * dx[j]);
        else x[j] += f * dx[j];
    }
}

/* One trajectory; the state is left before the closing drift a[stages]. */
NRXI_SYM_TEMPLATE nrx_status nrxi_sym_hook_one(size_t d, nrx_sym_grad_fn gradient, int compensated,
    void *user, const nrx_sym_scheme *s, double t0, double h, size_t first, size_t steps, double *z,
    double *carry)
{
    double q[NRXI_SYM_HOOK_MAX], p[NRXI_SYM_HOOK_MAX], g[NRXI_SYM_HOOK_MAX], cq[NRXI_SYM_HOOK_MAX],
        cp[NRXI_SYM_HOOK_MAX];
    const double merged = s->a[0] + s->a[s->stages];
    double n = (double)first, a = first ? merged : s->a[0];
    size_t j, step;
    int i, fresh = 0;
    nrx_status status = NRX_OK;
    NRXI_SYM_UNROLL
    for (j = 0; j < d; j++) {
        q[j] = z[j]; p[j] = z[d + j]; g[j] = 0.0;
        cq[j] = compensated ? carry[j] : 0.0;
        cp[j] = compensated ? carry[d + j] : 0.0;
    }
    for (step = 0; step < steps; step++) {
        if (a != 0.0 || !fresh) {              /* after a zero drift the last force is still right */
            nrxi_sym_hook_add(d, compensated, a * h, p, q, cq);
            status = gradient(user, t0 + (n + s->c[0]) * h, q, p, g);
            if (status != NRX_OK) goto done;
            fresh = 1;
        }
        for (i = 0;;) {
            nrxi_sym_hook_add(d, compensated, -s->b[i] * h, g, p, cp);
            if (++i >= s->stages) break;
            nrxi_sym_hook_add(d, compensated, s->a[i] * h, p, q, cq);
            status = gradient(user, t0 + (n + s->c[i]) * h, q, p, g);
            if (status != NRX_OK) goto done;
        }
        a = merged;
        n += 1.0;
    }
done:
    NRXI_SYM_UNROLL
    for (j = 0; j < d; j++) {
        z[j] = q[j]; z[d + j] = p[j];
        if (compensated) { carry[j] = cq[j]; carry[d + j] = cp[j]; }
    }
    return status;
}

/* NRXI_SYM_LANES trajectories of z [2d][lanes] from lane l0 on, opening and closing drifts included; lanes
   beyond the last are copies of it and are not written back. */
NRXI_SYM_TEMPLATE void nrxi_sym_hook_lanes(size_t d, nrx_sym_grad_fn gradient, void *user,
    const nrx_sym_scheme *s, double t0, double h, size_t steps, size_t lanes, size_t l0, double *z)
{
    double q[NRXI_SYM_HOOK_MAX][NRXI_SYM_LANES], p[NRXI_SYM_HOOK_MAX][NRXI_SYM_LANES];
    const double merged = s->a[0] + s->a[s->stages];
    double n = 0.0, a = s->a[0];
    size_t j, l, step;
    int i;
    for (j = 0; j < d; j++)
        for (l = 0; l < NRXI_SYM_LANES; l++) {
            const size_t from = l0 + l < lanes ? l0 + l : lanes - 1;
            q[j][l] = z[j * lanes + from]; p[j][l] = z[(d + j) * lanes + from];
        }
    for (step = 0; step < steps; step++) {
        for (i = 0; i < s->stages; i++) {
            const double ah = a * h, bh = -s->b[i] * h, t = t0 + (n + s->c[i]) * h;
            for (l = 0; l < NRXI_SYM_LANES; l++) {
                double x[NRXI_SYM_HOOK_MAX], v[NRXI_SYM_HOOK_MAX], g[NRXI_SYM_HOOK_MAX];
                NRXI_SYM_UNROLL
                for (j = 0; j < d; j++) { v[j] = p[j][l]; x[j] = q[j][l] + ah * v[j]; g[j] = 0.0; }
                (void)gradient(user, t, x, v, g);
                NRXI_SYM_UNROLL
                for (j = 0; j < d; j++) { q[j][l] = x[j]; p[j][l] = v[j] + bh * g[j]; }
            }
            a = s->a[i + 1];
        }
        a = merged;
        n += 1.0;
    }
    for (j = 0; j < d; j++)
        for (l = 0; l < NRXI_SYM_LANES && l0 + l < lanes; l++) {
            z[j * lanes + l0 + l] = q[j][l] + s->a[s->stages] * h * p[j][l];
            z[(d + j) * lanes + l0 + l] = p[j][l];
        }
}

#if defined(NRXI_X86)
#define NRXI_SYM_HOOK_WIDE(name, d, gradient) \
    NRXI_AVX512 NRXI_UNUSED static void name##_avx512(void *user, const nrx_sym_scheme *s, double t0, \
                                                      double h, size_t steps, \
                                                      size_t lanes, size_t l0, double *z) \
    { nrxi_sym_hook_lanes(d, gradient, user, s, t0, h, steps, lanes, l0, z); } \
    NRXI_AVX2 NRXI_UNUSED static void name##_avx2(void *user, const nrx_sym_scheme *s, double t0, double h, \
                                                  size_t steps, \
                                                  size_t lanes, size_t l0, double *z) \
    { nrxi_sym_hook_lanes(d, gradient, user, s, t0, h, steps, lanes, l0, z); }
#define NRXI_SYM_HOOK_PICK(name) \
    if (nrxi_cpu_avx512()) { name##_avx512(user, s, t0, h, steps, lanes, first, z); return NRX_OK; } \
    if (nrxi_cpu_avx2()) { name##_avx2(user, s, t0, h, steps, lanes, first, z); return NRX_OK; }
#else
#define NRXI_SYM_HOOK_WIDE(name, d, gradient)
#define NRXI_SYM_HOOK_PICK(name)
#endif
/* lanes = 0: one trajectory, steps first .. first+steps-1. Else: the block of lanes that starts at lane
   `first`. */
#define NRX_SYM_HOOK(name, d, gradient) \
    NRXI_SYM_HOOK_WIDE(name, d, gradient) \
    NRXI_SYM_EXACT NRXI_UNUSED static nrx_status name(void *user, const nrx_sym_scheme *s, double t0, \
                                                      double h, size_t first, size_t steps, \
                                                      size_t lanes, double *z, double *carry) \
    { \
        if (lanes) { \
            NRXI_SYM_HOOK_PICK(name) \
            nrxi_sym_hook_lanes(d, gradient, user, s, t0, h, steps, lanes, first, z); \
            return NRX_OK; \
        } \
        if (carry) return nrxi_sym_hook_one(d, gradient, 1, user, s, t0, h, first, steps, z, carry); \
        return nrxi_sym_hook_one(d, gradient, 0, user, s, t0, h, first, steps, z, NULL); \
    }

#ifdef __cplusplus
}
#endif
#endif /* NRX_SYMPLECTIC_H */

#if (defined(NRX_SYMPLECTIC_IMPLEMENTATION) || defined(NRX_IMPLEMENTATION) || defined(NRX_STATIC)) && \
    !defined(NRX_SYMPLECTIC_IMPL_DONE_)
#define NRX_SYMPLECTIC_IMPL_DONE_
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
#if defined(NRXI_X86)
#include <immintrin.h>
#endif
#if !defined(NRX_NO_STDIO)
#include <stdio.h>
#endif
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



NRX_DEF const char *nrx_sym_version(void) { return NRX_SYMPLECTIC_VERSION; }

/* ---- private: small vectors and matrices ---- */

NRXI_FN double nrxi_sym_dot(size_t n, const double *a, const double *b)
{
    double s = 0.0;
    size_t i;
    for (i = 0; i < n; i++) s += a[i] * b[i];
    return s;
}

NRXI_FN double nrxi_sym_max_abs(size_t n, const double *a)
{
    double m = 0.0;
    size_t i;
    for (i = 0; i < n; i++) if (fabs(a[i]) > m) m = fabs(a[i]);
    return m;
}

/* LU with partial pivoting in place; NRX_E_NUMERIC when singular or not finite. */
NRXI_FN nrx_status nrxi_sym_lu(size_t n, double *a, size_t *piv)
{
    size_t i, j, k;
    for (k = 0; k < n; k++) {
        size_t best = k;
        for (i = k + 1; i < n; i++) if (fabs(a[i * n + k]) > fabs(a[best * n + k])) best = i;
        piv[k] = best;
        if (a[best * n + k] == 0.0 || !nrxi_finite_f64(&a[best * n + k])) return NRX_E_NUMERIC;
        if (best != k)
            for (j = 0; j < n; j++) { double t = a[k * n + j]; a[k * n + j] = a[best * n + j];
                a[best * n + j] = t; }
        for (i = k + 1; i < n; i++) {
            const double f = a[i * n + k] /= a[k * n + k];
            for (j = k + 1; j < n; j++) a[i * n + j] -= f * a[k * n + j];
        }
    }
    return NRX_OK;
}

NRXI_FN void nrxi_sym_lu_solve(size_t n, const double *lu, const size_t *piv, double *b)
{
    size_t i, j;
    for (i = 0; i < n; i++) {
        const double t = b[i];
        b[i] = b[piv[i]];
        b[piv[i]] = t;
    }
    for (i = 0; i < n; i++) for (j = 0; j < i; j++) b[i] -= lu[i * n + j] * b[j];
    for (i = n; i-- > 0;) {
        for (j = i + 1; j < n; j++) b[i] -= lu[i * n + j] * b[j];
        b[i] /= lu[i * n + i];
    }
}

/* ---- ready systems ---- */

NRXI_FN nrx_status nrxi_sym_dp_unit1(void *user, double t, const double *q, const double *p, double *g)
{
    (void)user; (void)t; (void)q;
    g[0] = p[0];
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_sym_dp_unit2(void *user, double t, const double *q, const double *p, double *g)
{
    (void)user; (void)t; (void)q;
    g[0] = p[0]; g[1] = p[1];
    return NRX_OK;
}

NRX_INLINE nrx_status nrxi_sym_osc_dq(void *user, double t, const double *q, const double *p, double *g)
{
    (void)user; (void)t; (void)p;
    g[0] = q[0];
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_osc_energy(void *user, double t, const double *q, const double *p, double *H)
{
    (void)user; (void)t;
    *H = 0.5 * (p[0] * p[0] + q[0] * q[0]);
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_osc_hess(void *user, double t, const double *q, const double *p, const double *v,
    double *w)
{
    (void)user; (void)t; (void)q; (void)p;
    w[0] = v[0]; w[1] = v[1];
    return NRX_OK;
}
NRX_SYM_HOOK(nrxi_sym_osc_hook, 1, nrxi_sym_osc_dq)

NRX_INLINE nrx_status nrxi_sym_pend_dq(void *user, double t, const double *q, const double *p, double *g)
{
    (void)user; (void)t; (void)p;
    g[0] = sin(q[0]);
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_pend_energy(void *user, double t, const double *q, const double *p, double *H)
{
    (void)user; (void)t;
    *H = 0.5 * p[0] * p[0] - cos(q[0]);
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_pend_hess(void *user, double t, const double *q, const double *p, const double *v,
    double *w)
{
    (void)user; (void)t; (void)p;
    w[0] = cos(q[0]) * v[0]; w[1] = v[1];
    return NRX_OK;
}
NRX_SYM_HOOK(nrxi_sym_pend_hook, 1, nrxi_sym_pend_dq)

NRX_INLINE nrx_status nrxi_sym_hh_dq(void *user, double t, const double *q, const double *p, double *g)
{
    (void)user; (void)t; (void)p;
    g[0] = q[0] * (1.0 + 2.0 * q[1]);
    g[1] = q[1] + q[0] * q[0] - q[1] * q[1];
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_hh_energy(void *user, double t, const double *q, const double *p, double *H)
{
    (void)user; (void)t;
    *H = 0.5 * (p[0] * p[0] + p[1] * p[1] + q[0] * q[0] + q[1] * q[1]) + q[0] * q[0] * q[1] - q[1] * q[1] *
        q[1] / 3.0;
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_hh_hess(void *user, double t, const double *q, const double *p, const double *v,
    double *w)
{
    (void)user; (void)t; (void)p;
    w[0] = (1.0 + 2.0 * q[1]) * v[0] + 2.0 * q[0] * v[1];
    w[1] = 2.0 * q[0] * v[0] + (1.0 - 2.0 * q[1]) * v[1];
    w[2] = v[2]; w[3] = v[3];
    return NRX_OK;
}
NRX_SYM_HOOK(nrxi_sym_hh_hook, 2, nrxi_sym_hh_dq)

NRX_INLINE nrx_status nrxi_sym_kepler_dq(void *user, double t, const double *q, const double *p, double *g)
{
    /* root and division side by side */
    const double r2 = q[0] * q[0] + q[1] * q[1], s = sqrt(r2) * (1.0 / (r2 * r2));
    (void)user; (void)t; (void)p;
    g[0] = q[0] * s; g[1] = q[1] * s;
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_kepler_energy(void *user, double t, const double *q, const double *p, double *H)
{
    (void)user; (void)t;
    *H = 0.5 * (p[0] * p[0] + p[1] * p[1]) - 1.0 / sqrt(q[0] * q[0] + q[1] * q[1]);
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_kepler_hess(void *user, double t, const double *q, const double *p,
    const double *v, double *w)
{
    const double r2 = q[0] * q[0] + q[1] * q[1], s = 1.0 / (r2 * sqrt(r2)),
        qv = 3.0 * s * (q[0] * v[0] + q[1] * v[1]) / r2;
    (void)user; (void)t; (void)p;
    w[0] = s * v[0] - qv * q[0]; w[1] = s * v[1] - qv * q[1];
    w[2] = v[2]; w[3] = v[3];
    return NRX_OK;
}
NRX_SYM_HOOK(nrxi_sym_kepler_hook, 2, nrxi_sym_kepler_dq)

/* Tao's (q^2+1)(p^2+1)/2 */
NRXI_FN nrx_status nrxi_sym_tao_dq(void *user, double t, const double *q, const double *p, double *g)
{
    (void)user; (void)t;
    g[0] = q[0] * (p[0] * p[0] + 1.0);
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_tao_dp(void *user, double t, const double *q, const double *p, double *g)
{
    (void)user; (void)t;
    g[0] = p[0] * (q[0] * q[0] + 1.0);
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_tao_energy(void *user, double t, const double *q, const double *p, double *H)
{
    (void)user; (void)t;
    *H = 0.5 * (q[0] * q[0] + 1.0) * (p[0] * p[0] + 1.0);
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_tao_hess(void *user, double t, const double *q, const double *p, const double *v,
    double *w)
{
    const double c = 2.0 * q[0] * p[0];
    (void)user; (void)t;
    w[0] = (p[0] * p[0] + 1.0) * v[0] + c * v[1];
    w[1] = c * v[0] + (q[0] * q[0] + 1.0) * v[1];
    return NRX_OK;
}

/* sqrt(1 + p^2) - cos q */
NRXI_FN nrx_status nrxi_sym_rel_dp(void *user, double t, const double *q, const double *p, double *g)
{
    (void)user; (void)t; (void)q;
    g[0] = p[0] / sqrt(1.0 + p[0] * p[0]);
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_rel_energy(void *user, double t, const double *q, const double *p, double *H)
{
    (void)user; (void)t;
    *H = sqrt(1.0 + p[0] * p[0]) - cos(q[0]);
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_rel_hess(void *user, double t, const double *q, const double *p, const double *v,
    double *w)
{
    const double e = 1.0 + p[0] * p[0];
    (void)user; (void)t;
    w[0] = cos(q[0]) * v[0];
    w[1] = v[1] / (e * sqrt(e));
    return NRX_OK;
}

/* Double pendulum, D = q1 - q2: H = (p1^2 + 2 p2^2 - 2 p1 p2 cos D) / (2 (1 + sin^2 D)) - 2 cos q1 - cos q2.
   N = numerator, S = 1 + sin^2 D; the kinetic part is N / (2 S). */
NRXI_FN nrx_status nrxi_sym_dp2_dq(void *user, double t, const double *q, const double *p, double *g)
{
    const double s = sin(q[0] - q[1]), c = cos(q[0] - q[1]), S = 1.0 + s * s;
    const double N = p[0] * p[0] + 2.0 * p[1] * p[1] - 2.0 * p[0] * p[1] * c;
    const double k = p[0] * p[1] * s / S - N * s * c / (S * S);
    (void)user; (void)t;
    g[0] = k + 2.0 * sin(q[0]);
    g[1] = -k + sin(q[1]);
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_dp2_dp(void *user, double t, const double *q, const double *p, double *g)
{
    const double s = sin(q[0] - q[1]), c = cos(q[0] - q[1]), S = 1.0 + s * s;
    (void)user; (void)t;
    g[0] = (p[0] - p[1] * c) / S;
    g[1] = (2.0 * p[1] - p[0] * c) / S;
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_dp2_energy(void *user, double t, const double *q, const double *p, double *H)
{
    const double s = sin(q[0] - q[1]), c = cos(q[0] - q[1]);
    (void)user; (void)t;
    *H = (p[0] * p[0] + 2.0 * p[1] * p[1] - 2.0 * p[0] * p[1] * c) / (2.0 * (1.0 + s * s)) - 2.0 * cos(q[0]) -
        cos(q[1]);
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_dp2_hess(void *user, double t, const double *q, const double *p, const double *v,
    double *w)
{
    const double s = sin(q[0] - q[1]), c = cos(q[0] - q[1]), S = 1.0 + s * s, D = v[0] - v[1];
    const double N = p[0] * p[0] + 2.0 * p[1] * p[1] - 2.0 * p[0] * p[1] * c, S1 = 2.0 * s * c,
        c2 = c * c - s * s;
    const double N1 = 2.0 * p[0] * p[1] * s;                                             /* dN/dD */
    /* k = p1 p2 s / S - N s c / S^2: its derivatives by D, p1, p2 */
    const double kD = p[0] * p[1] * (c / S - s * S1 / (S * S)) - (N1 * s * c + N * c2) / (S * S) + 2.0 * N *
        s * c * S1 / (S * S * S);
    const double k1 = p[1] * s / S - (2.0 * p[0] - 2.0 * p[1] * c) * s * c / (S * S);
    const double k2 = p[0] * s / S - (4.0 * p[1] - 2.0 * p[0] * c) * s * c / (S * S);
    const double k = kD * D + k1 * v[2] + k2 * v[3];
    (void)user; (void)t;
    w[0] = k + 2.0 * cos(q[0]) * v[0];
    w[1] = -k + cos(q[1]) * v[1];
    w[2] = k1 * D + (v[2] - v[3] * c) / S;
    w[3] = k2 * D + (2.0 * v[3] - v[2] * c) / S;
    return NRX_OK;
}

/* damped oscillator in doubled variables; user = l */
NRXI_FN nrx_status nrxi_sym_damped_dq(void *user, double t, const double *q, const double *p, double *g)
{
    const double k = 0.5 * *(const double *)user * (p[0] - p[1]);
    (void)t;
    g[0] = k + q[0]; g[1] = -k - q[1];
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_damped_dp(void *user, double t, const double *q, const double *p, double *g)
{
    const double k = 0.5 * *(const double *)user * (q[0] - q[1]);
    (void)t;
    g[0] = p[0] + k; g[1] = -p[1] - k;
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_damped_energy(void *user, double t, const double *q, const double *p, double *H)
{
    (void)t;
    *H = 0.5 * (p[0] * p[0] - p[1] * p[1] + q[0] * q[0] - q[1] * q[1])
       + 0.5 * *(const double *)user * (q[0] - q[1]) * (p[0] - p[1]);
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_damped_hess(void *user, double t, const double *q, const double *p,
    const double *v, double *w)
{
    const double kp = 0.5 * *(const double *)user * (v[2] - v[3]),
        kq = 0.5 * *(const double *)user * (v[0] - v[1]);
    (void)t; (void)q; (void)p;
    w[0] = kp + v[0]; w[1] = -kp - v[1];
    w[2] = v[2] + kq; w[3] = -v[3] - kq;
    return NRX_OK;
}

/* charge in a uniform field; user = {B, k}: u = p - A, A = B/2 (-q2, q1) */
NRXI_FN nrx_status nrxi_sym_charge_dq(void *user, double t, const double *q, const double *p, double *g)
{
    const double *f = (const double *)user, b = 0.5 * f[0], u = p[0] + b * q[1], v = p[1] - b * q[0];
    (void)t;
    g[0] = -b * v + f[1] * q[0]; g[1] = b * u + f[1] * q[1];
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_charge_dp(void *user, double t, const double *q, const double *p, double *g)
{
    const double b = 0.5 * *(const double *)user;
    (void)t;
    g[0] = p[0] + b * q[1]; g[1] = p[1] - b * q[0];
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_charge_energy(void *user, double t, const double *q, const double *p, double *H)
{
    const double *f = (const double *)user, b = 0.5 * f[0], u = p[0] + b * q[1], v = p[1] - b * q[0];
    (void)t;
    *H = 0.5 * (u * u + v * v) + 0.5 * f[1] * (q[0] * q[0] + q[1] * q[1]);
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_charge_hess(void *user, double t, const double *q, const double *p,
    const double *v, double *w)
{
    (void)q; (void)p;   /* H is a quadratic form */
    (void)nrxi_sym_charge_dq(user, t, v, v + 2, w);
    return nrxi_sym_charge_dp(user, t, v, v + 2, w + 2);
}

/* Free rigid body in z-x-z Euler angles q = (phi, theta, psi): with a = (p_phi - p_psi cos theta)/sin
   theta the body-frame angular momentum is m1 = a sin psi + p_theta cos psi, m2 = a cos psi - p_theta sin
   psi, m3 = p_psi; H = sum m_i^2/(2 I_i). */
NRXI_FN void nrxi_sym_rigid_momentum(const double *q, const double *p, double *m, double *a, double *da)
{
    const double s = sin(q[1]), c = cos(q[1]), sp = sin(q[2]), cp = cos(q[2]);
    *a = (p[0] - p[2] * c) / s;
    *da = p[2] - *a * c / s;                                                              /* da/dtheta */
    m[0] = *a * sp + p[1] * cp; m[1] = *a * cp - p[1] * sp; m[2] = p[2];
}
NRXI_FN nrx_status nrxi_sym_rigid_dq(void *user, double t, const double *q, const double *p, double *g)
{
    const double *I = (const double *)user;
    double m[3], a, da;
    (void)t;
    nrxi_sym_rigid_momentum(q, p, m, &a, &da);
    g[0] = 0.0;
    g[1] = da * (m[0] / I[0] * sin(q[2]) + m[1] / I[1] * cos(q[2]));
    g[2] = m[0] * m[1] * (1.0 / I[0] - 1.0 / I[1]);
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_rigid_dp(void *user, double t, const double *q, const double *p, double *g)
{
    const double *I = (const double *)user, s = sin(q[1]), c = cos(q[1]);
    double m[3], a, da, u;
    (void)t;
    nrxi_sym_rigid_momentum(q, p, m, &a, &da);
    u = m[0] / I[0] * sin(q[2]) + m[1] / I[1] * cos(q[2]);
    g[0] = u / s;
    g[1] = m[0] / I[0] * cos(q[2]) - m[1] / I[1] * sin(q[2]);
    g[2] = m[2] / I[2] - u * c / s;
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_rigid_energy(void *user, double t, const double *q, const double *p, double *H)
{
    const double *I = (const double *)user;
    double m[3], a, da;
    (void)t;
    nrxi_sym_rigid_momentum(q, p, m, &a, &da);
    *H = 0.5 * (m[0] * m[0] / I[0] + m[1] * m[1] / I[1] + m[2] * m[2] / I[2]);
    return NRX_OK;
}

/* The gradient above, differentiated along v: a name with 1 is the derivative of the name without. */
NRXI_FN nrx_status nrxi_sym_rigid_hess(void *user, double t, const double *q, const double *p,
    const double *v, double *w)
{
    const double *I = (const double *)user, s = sin(q[1]), c = cos(q[1]), s1 = c * v[1], c1 = -s * v[1];
    const double sp = sin(q[2]), cp = cos(q[2]), sp1 = cp * v[2], cp1 = -sp * v[2];
    double m[3], a, da, a1, da1, x, y, x1, y1, u, u1;
    (void)t;
    nrxi_sym_rigid_momentum(q, p, m, &a, &da);
    a1 = (v[3] - v[5] * c - p[2] * c1 - a * s1) / s;
    da1 = v[5] - (a1 * c + a * c1 - a * c * s1 / s) / s;
    x = m[0] / I[0]; x1 = (a1 * sp + a * sp1 + v[4] * cp + p[1] * cp1) / I[0];    /* angular velocities */
    y = m[1] / I[1]; y1 = (a1 * cp + a * cp1 - v[4] * sp - p[1] * sp1) / I[1];
    u = x * sp + y * cp; u1 = x1 * sp + x * sp1 + y1 * cp + y * cp1;
    w[0] = 0.0;
    w[1] = da1 * u + da * u1;
    w[2] = (x1 * y + x * y1) * (I[1] - I[0]);
    w[3] = (u1 - u * s1 / s) / s;
    w[4] = x1 * cp + x * cp1 - y1 * sp - y * sp1;
    w[5] = v[5] / I[2] - (u1 * c + u * c1 - u * c * s1 / s) / s;
    return NRX_OK;
}

NRXI_FN nrx_sym_system nrxi_sym_make(size_t d, int structure, nrx_sym_grad_fn dq, nrx_sym_grad_fn dp)
{
    nrx_sym_system s = NRX_ZERO;
    s.d = d;
    s.structure = structure;
    s.dq = dq;
    s.dp = dp;
    return s;
}

NRX_DEF nrx_sym_system nrx_sym_oscillator(void)
{
    nrx_sym_system s = nrxi_sym_make(1, NRX_SYM_NEWTON, nrxi_sym_osc_dq, nrxi_sym_dp_unit1);
    s.energy = nrxi_sym_osc_energy; s.hess = nrxi_sym_osc_hess; s.hook = nrxi_sym_osc_hook;
    return s;
}
NRX_DEF nrx_sym_system nrx_sym_pendulum(void)
{
    nrx_sym_system s = nrxi_sym_make(1, NRX_SYM_NEWTON, nrxi_sym_pend_dq, nrxi_sym_dp_unit1);
    s.energy = nrxi_sym_pend_energy; s.hess = nrxi_sym_pend_hess; s.hook = nrxi_sym_pend_hook;
    return s;
}
NRX_DEF nrx_sym_system nrx_sym_henon_heiles(void)
{
    nrx_sym_system s = nrxi_sym_make(2, NRX_SYM_NEWTON, nrxi_sym_hh_dq, nrxi_sym_dp_unit2);
    s.energy = nrxi_sym_hh_energy; s.hess = nrxi_sym_hh_hess; s.hook = nrxi_sym_hh_hook;
    return s;
}
NRX_DEF nrx_sym_system nrx_sym_kepler(void)
{
    nrx_sym_system s = nrxi_sym_make(2, NRX_SYM_NEWTON, nrxi_sym_kepler_dq, nrxi_sym_dp_unit2);
    s.energy = nrxi_sym_kepler_energy; s.hess = nrxi_sym_kepler_hess; s.hook = nrxi_sym_kepler_hook;
    return s;
}
NRX_DEF nrx_sym_system nrx_sym_double_pendulum(void)
{
    nrx_sym_system s = nrxi_sym_make(2, NRX_SYM_GENERAL, nrxi_sym_dp2_dq, nrxi_sym_dp2_dp);
    s.energy = nrxi_sym_dp2_energy; s.hess = nrxi_sym_dp2_hess;
    return s;
}
NRX_DEF nrx_sym_system nrx_sym_tao(void)
{
    nrx_sym_system s = nrxi_sym_make(1, NRX_SYM_GENERAL, nrxi_sym_tao_dq, nrxi_sym_tao_dp);
    s.energy = nrxi_sym_tao_energy; s.hess = nrxi_sym_tao_hess;
    return s;
}
NRX_DEF nrx_sym_system nrx_sym_relativistic_pendulum(void)
{
    nrx_sym_system s = nrxi_sym_make(1, NRX_SYM_SEPARABLE, nrxi_sym_pend_dq, nrxi_sym_rel_dp);
    s.energy = nrxi_sym_rel_energy; s.hess = nrxi_sym_rel_hess;
    return s;
}
NRX_DEF nrx_sym_system nrx_sym_damped_oscillator(const double *damping)
{
    nrx_sym_system s = nrxi_sym_make(2, NRX_SYM_GENERAL, nrxi_sym_damped_dq, nrxi_sym_damped_dp);
    s.energy = nrxi_sym_damped_energy; s.hess = nrxi_sym_damped_hess;
    s.user = (void *)(uintptr_t)damping;
    return s;
}
NRX_DEF nrx_sym_system nrx_sym_charged_particle(const double field[2])
{
    nrx_sym_system s = nrxi_sym_make(2, NRX_SYM_GENERAL, nrxi_sym_charge_dq, nrxi_sym_charge_dp);
    s.energy = nrxi_sym_charge_energy; s.hess = nrxi_sym_charge_hess;
    s.user = (void *)(uintptr_t)field;
    return s;
}
NRX_DEF nrx_sym_system nrx_sym_rigid_body(const double inertia[3])
{
    nrx_sym_system s = nrxi_sym_make(3, NRX_SYM_GENERAL, nrxi_sym_rigid_dq, nrxi_sym_rigid_dp);
    s.energy = nrxi_sym_rigid_energy; s.hess = nrxi_sym_rigid_hess;
    s.user = (void *)(uintptr_t)inertia;
    return s;
}

/* ---- Fermi-Pasta-Ulam-Tsingou chain ---- */

/* s_i = q_{i+1} - q_i, i = 0 .. n */
NRXI_FN double nrxi_sym_fput_stretch(const nrx_sym_fput_chain *c, const double *q, size_t i)
{
    return (i < c->n ? q[i] : 0.0) - (i > 0 ? q[i - 1] : 0.0);
}
NRXI_FN nrx_status nrxi_sym_fput_dq(void *user, double t, const double *q, const double *p, double *g)
{
    const nrx_sym_fput_chain *c = (const nrx_sym_fput_chain *)user;
    double left = 0.0;
    size_t i;
    (void)t; (void)p;
    for (i = 0; i <= c->n; i++) {
        const double s = nrxi_sym_fput_stretch(c, q, i), pull = s + s * s * (c->alpha + c->beta * s);
        if (i > 0) g[i - 1] = left - pull;
        left = pull;
    }
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_fput_dp(void *user, double t, const double *q, const double *p, double *g)
{
    (void)t; (void)q;
    memcpy(g, p, ((const nrx_sym_fput_chain *)user)->n * sizeof *g);
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_fput_energy(void *user, double t, const double *q, const double *p, double *H)
{
    const nrx_sym_fput_chain *c = (const nrx_sym_fput_chain *)user;
    double e = 0.5 * nrxi_sym_dot(c->n, p, p);
    size_t i;
    (void)t;
    for (i = 0; i <= c->n; i++) {
        const double s = nrxi_sym_fput_stretch(c, q, i);
        e += s * s * (0.5 + s * (c->alpha / 3.0 + 0.25 * c->beta * s));
    }
    *H = e;
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_fput_hess(void *user, double t, const double *q, const double *p, const double *v,
    double *w)
{
    const nrx_sym_fput_chain *c = (const nrx_sym_fput_chain *)user;
    double left = 0.0;
    size_t i;
    (void)t; (void)p;
    for (i = 0; i <= c->n; i++) {
        const double s = nrxi_sym_fput_stretch(c, q, i);
        const double pull = (1.0 + s * (2.0 * c->alpha + 3.0 * c->beta * s)) * nrxi_sym_fput_stretch(c, v, i);
        if (i > 0) w[i - 1] = left - pull;
        left = pull;
    }
    memcpy(w + c->n, v + c->n, c->n * sizeof *w);
    return NRX_OK;
}

NRX_DEF nrx_status nrx_sym_fput(const nrx_sym_fput_chain *chain, nrx_sym_system *system)
{
    if (!chain || !system || chain->n == 0 || chain->n > 1000000u)
        return nrxi_fail(NULL, NRX_E_ARG, "nrx_sym_fput: a chain of 1 to 1000000 masses expected");
    *system = nrxi_sym_make(chain->n, NRX_SYM_NEWTON, nrxi_sym_fput_dq, nrxi_sym_fput_dp);
    system->energy = nrxi_sym_fput_energy; system->hess = nrxi_sym_fput_hess;
    system->user = (void *)(uintptr_t)chain;
    return NRX_OK;
}

/* ---- N bodies ---- */

enum { NRXI_SYM_BODIES_MAX = 1024, NRXI_SYM_BODIES_ROW = 16 };

NRXI_FN size_t nrxi_sym_nbody_dim(const nrx_sym_nbody *b) { return b->dim ? b->dim : 3; }
NRXI_FN double nrxi_sym_nbody_G(const nrx_sym_nbody *b) { return b->G != 0.0 ? b->G : 1.0; }

/* acc[i] = sum_{j != i} G m_j (q_i - q_j) / r^3, the negative acceleration; pairs once, any number of
   bodies. */
NRXI_FN void nrxi_sym_nbody_pairs(const nrx_sym_nbody *b, const double *q, double *acc)
{
    const size_t n = b->bodies, dim = nrxi_sym_nbody_dim(b);
    const double G = nrxi_sym_nbody_G(b);
    size_t i, j;
    memset(acc, 0, n * dim * sizeof *acc);
    for (i = 0; i < n; i++)
        for (j = i + 1; j < n; j++) {
            const double *qi = q + i * dim, *qj = q + j * dim;
            const double x = qi[0] - qj[0], y = qi[1] - qj[1], z = dim == 3 ? qi[2] - qj[2] : 0.0;
            const double r2 = x * x + y * y + z * z, s = G / (r2 * sqrt(r2)), si = s * b->mass[j],
                sj = s * b->mass[i];
            acc[i * dim] += si * x; acc[i * dim + 1] += si * y;
            acc[j * dim] -= sj * x; acc[j * dim + 1] -= sj * y;
            if (dim == 3) { acc[i * dim + 2] += si * z; acc[j * dim + 2] -= sj * z; }
        }
}

#if defined(NRXI_X86)

/* The same for at most NRXI_SYM_BODIES_ROW bodies in 3 dimensions: for body i four of the bodies j > i at
   a time, so that square roots and divisions run side by side. Padding stands so far away that its forces
   are zero whatever its mass of 0 leaves. */
NRXI_AVX2 NRXI_FN void nrxi_sym_nbody_avx2(const nrx_sym_nbody *b, const double *q, double *acc)
{
    enum { PAD = NRXI_SYM_BODIES_ROW + 4 };
    double x[PAD], y[PAD], z[PAD], m[PAD], ax[PAD], ay[PAD], az[PAD];
    const size_t n = b->bodies;
    const double G = nrxi_sym_nbody_G(b);
    size_t i, j, k;
    for (i = 0; i < n; i++) {
        x[i] = q[3 * i]; y[i] = q[3 * i + 1]; z[i] = q[3 * i + 2];
        m[i] = G * b->mass[i];
        ax[i] = ay[i] = az[i] = 0.0;
    }
    for (; i < n + 4; i++) { x[i] = y[i] = z[i] = 1e90; m[i] = ax[i] = ay[i] = az[i] = 0.0; }
    for (i = 0; i + 1 < n; i++) {
        const __m256d xi = _mm256_set1_pd(x[i]), yi = _mm256_set1_pd(y[i]), zi = _mm256_set1_pd(z[i]),
            mi = _mm256_set1_pd(m[i]);
        __m256d sx = _mm256_setzero_pd(), sy = sx, sz = sx;
        for (j = i + 1; j < n; j += 4) {
            const __m256d dx = _mm256_sub_pd(xi, _mm256_loadu_pd(x + j)),
                dy = _mm256_sub_pd(yi, _mm256_loadu_pd(y + j));
            const __m256d dz = _mm256_sub_pd(zi, _mm256_loadu_pd(z + j));
            const __m256d r2 = _mm256_add_pd(_mm256_add_pd(_mm256_mul_pd(dx, dx), _mm256_mul_pd(dy, dy)),
                _mm256_mul_pd(dz, dz));
            const __m256d s = _mm256_div_pd(_mm256_set1_pd(1.0), _mm256_mul_pd(r2, _mm256_sqrt_pd(r2)));
            const __m256d sj = _mm256_mul_pd(s, _mm256_loadu_pd(m + j)), si = _mm256_mul_pd(s, mi);
            sx = _mm256_add_pd(sx, _mm256_mul_pd(sj, dx));
            sy = _mm256_add_pd(sy, _mm256_mul_pd(sj, dy));
            sz = _mm256_add_pd(sz, _mm256_mul_pd(sj, dz));
            _mm256_storeu_pd(ax + j, _mm256_sub_pd(_mm256_loadu_pd(ax + j), _mm256_mul_pd(si, dx)));
            _mm256_storeu_pd(ay + j, _mm256_sub_pd(_mm256_loadu_pd(ay + j), _mm256_mul_pd(si, dy)));
            _mm256_storeu_pd(az + j, _mm256_sub_pd(_mm256_loadu_pd(az + j), _mm256_mul_pd(si, dz)));
        }
        for (k = 0; k < 4; k++) { ax[i] += sx[k]; ay[i] += sy[k]; az[i] += sz[k]; }
    }
    for (i = 0; i < n; i++) { acc[3 * i] = ax[i]; acc[3 * i + 1] = ay[i]; acc[3 * i + 2] = az[i]; }
}
#endif

NRXI_FN void nrxi_sym_nbody_accel(const nrx_sym_nbody *b, const double *q, double *acc)
{
#if defined(NRXI_X86)
    if (nrxi_sym_nbody_dim(b) == 3 && b->bodies <= NRXI_SYM_BODIES_ROW && b->bodies > 3 && nrxi_cpu_avx2()) {
        nrxi_sym_nbody_avx2(b, q, acc);
        return;
    }
#endif
    nrxi_sym_nbody_pairs(b, q, acc);
}

NRXI_FN nrx_status nrxi_sym_nbody_dq(void *user, double t, const double *q, const double *p, double *g)
{
    const nrx_sym_nbody *b = (const nrx_sym_nbody *)user;
    const size_t n = b->bodies, dim = nrxi_sym_nbody_dim(b);
    size_t i, k;
    (void)t; (void)p;
    nrxi_sym_nbody_accel(b, q, g);
    for (i = 0; i < n; i++) for (k = 0; k < dim; k++) g[i * dim + k] *= b->mass[i];
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_nbody_dp(void *user, double t, const double *q, const double *p, double *g)
{
    const nrx_sym_nbody *b = (const nrx_sym_nbody *)user;
    const size_t n = b->bodies, dim = nrxi_sym_nbody_dim(b);
    size_t i, k;
    (void)t; (void)q;
    for (i = 0; i < n; i++) for (k = 0; k < dim; k++) g[i * dim + k] = p[i * dim + k] / b->mass[i];
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_nbody_energy(void *user, double t, const double *q, const double *p, double *H)
{
    const nrx_sym_nbody *b = (const nrx_sym_nbody *)user;
    const size_t n = b->bodies, dim = nrxi_sym_nbody_dim(b);
    const double G = nrxi_sym_nbody_G(b);
    double e = 0.0;
    size_t i, j, k;
    (void)t;
    for (i = 0; i < n; i++) {
        e += 0.5 * nrxi_sym_dot(dim, p + i * dim, p + i * dim) / b->mass[i];
        for (j = i + 1; j < n; j++) {
            double r2 = 0.0;
            for (k = 0; k < dim; k++) r2 += (q[i * dim + k] - q[j * dim + k]) *
                (q[i * dim + k] - q[j * dim + k]);
            e -= G * b->mass[i] * b->mass[j] / sqrt(r2);
        }
    }
    *H = e;
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_nbody_hess(void *user, double t, const double *q, const double *p,
    const double *v, double *w)
{
    const nrx_sym_nbody *b = (const nrx_sym_nbody *)user;
    const size_t n = b->bodies, dim = nrxi_sym_nbody_dim(b), d = n * dim;
    const double G = nrxi_sym_nbody_G(b);
    size_t i, j, k;
    (void)p;
    memset(w, 0, d * sizeof *w);
    for (i = 0; i < n; i++)
        for (j = i + 1; j < n; j++) {
            double r2 = 0.0, rv = 0.0, s;
            for (k = 0; k < dim; k++) {
                const double x = q[i * dim + k] - q[j * dim + k];
                r2 += x * x;
                rv += x * (v[i * dim + k] - v[j * dim + k]);
            }
            s = G * b->mass[i] * b->mass[j] / (r2 * sqrt(r2));
            for (k = 0; k < dim; k++) {
                const double x = q[i * dim + k] - q[j * dim + k], u = v[i * dim + k] - v[j * dim + k];
                const double f = s * (u - 3.0 * rv / r2 * x);
                w[i * dim + k] += f;
                w[j * dim + k] -= f;
            }
        }
    return nrxi_sym_nbody_dp(user, t, q, v + d, w + d);
}

NRX_DEF nrx_status nrx_sym_nbody_system(const nrx_sym_nbody *bodies, nrx_sym_system *system)
{
    size_t i;
    if (!bodies || !system || !bodies->mass) return nrxi_fail(NULL, NRX_E_ARG,
        "nrx_sym_nbody_system: NULL argument");
    if (bodies->bodies < 2 || bodies->bodies > NRXI_SYM_BODIES_MAX)
        return nrxi_fail(NULL, NRX_E_ARG, "nrx_sym_nbody_system: %zu bodies, expected 2 to %d",
            bodies->bodies,
                         (int)NRXI_SYM_BODIES_MAX);
    if (bodies->dim != 0 && bodies->dim != 2 && bodies->dim != 3)
        return nrxi_fail(NULL, NRX_E_ARG, "nrx_sym_nbody_system: dimension %zu, expected 2 or 3",
            bodies->dim);
    for (i = 0; i < bodies->bodies; i++)
        if (!nrxi_finite_f64(&bodies->mass[i]) || bodies->mass[i] <= 0.0)
            return nrxi_fail(NULL, NRX_E_ARG, "nrx_sym_nbody_system: mass %zu is %g, expected > 0", i,
                bodies->mass[i]);
    *system = nrxi_sym_make(bodies->bodies * nrxi_sym_nbody_dim(bodies), NRX_SYM_NEWTON, nrxi_sym_nbody_dq,
        nrxi_sym_nbody_dp);
    system->energy = nrxi_sym_nbody_energy; system->hess = nrxi_sym_nbody_hess;
    system->nbody = bodies;
    system->user = (void *)(uintptr_t)bodies;
    return NRX_OK;
}

NRX_DEF nrx_status nrx_sym_outer_solar_system(nrx_sym_nbody *bodies, nrx_sym_system *system, double z0[36])
{
    static const double mass[6] = { 1.00000597682, 0.000954786104043, 0.000285583733151, 0.0000437273164546,
        0.0000517759138449, 1.0 / 1.3e8 };
    static const double q[18] = { 0, 0, 0, -3.5023653, -3.8169847, -1.5507963, 9.0755314, -3.0458353,
        -1.6483708, 8.3101420, -16.2901086, -7.2521278, 11.4707666, -25.7294829, -10.8169456, -15.5387357,
        -25.2225594, -3.1902382 };
    static const double v[18] = { 0, 0, 0, 0.00565429, -0.00412490, -0.00190589, 0.00168318, 0.00483525,
        0.00192462, 0.00354178, 0.00137102, 0.00055029, 0.00288930, 0.00114527, 0.00039677, 0.00276725,
        -0.00170702, -0.00136504 };
    size_t i;
    if (!bodies || !system || !z0) return nrxi_fail(NULL, NRX_E_ARG,
        "nrx_sym_outer_solar_system: NULL argument");
    bodies->bodies = 6; bodies->dim = 3; bodies->G = 2.95912208286e-4; bodies->mass = mass;
    for (i = 0; i < 18; i++) { z0[i] = q[i]; z0[18 + i] = mass[i / 3] * v[i]; }
    return nrx_sym_nbody_system(bodies, system);
}

NRX_DEF nrx_status nrx_sym_figure_eight(nrx_sym_nbody *bodies, nrx_sym_system *system, double z0[12])
{
    static const double mass[3] = { 1.0, 1.0, 1.0 };
    const double x = 0.97000435669733798451, y = -0.24308753153583, u = -0.9324073714410356076,
        v = -0.86473146092102412215;
    if (!bodies || !system || !z0) return nrxi_fail(NULL, NRX_E_ARG, "nrx_sym_figure_eight: NULL argument");
    bodies->bodies = 3; bodies->dim = 2; bodies->G = 1.0; bodies->mass = mass;
    z0[0] = x; z0[1] = y; z0[2] = -x; z0[3] = -y; z0[4] = z0[5] = 0.0;
    z0[6] = z0[8] = -0.5 * u; z0[7] = z0[9] = -0.5 * v; z0[10] = u; z0[11] = v;
    return nrx_sym_nbody_system(bodies, system);
}

NRX_DEF nrx_status nrx_sym_energy(const nrx_sym_system *system, double t, const double *z, double *E)
{
    if (!system || !z || !E) return nrxi_fail(NULL, NRX_E_ARG, "nrx_sym_energy: NULL argument");
    if (!system->energy) return nrxi_fail(NULL, NRX_E_UNSUPPORTED,
        "nrx_sym_energy: the system has no energy function");
    return system->energy(system->user, t, z, z + system->d, E);
}

/* dH/dp of any system, with its masses */
NRXI_FN nrx_status nrxi_sym_call_dp(const nrx_sym_system *s, double t, const double *q, const double *p,
    double *g)
{
    size_t j;
    if (s->structure != NRX_SYM_NEWTON || s->nbody) return s->dp(s->user, t, q, p, g);
    for (j = 0; j < s->d; j++) g[j] = s->inverse_mass ? s->inverse_mass[j] * p[j] : p[j];
    return NRX_OK;
}

/* f = J grad H: [dH/dp, -dH/dq] */
NRXI_FN nrx_status nrxi_sym_field(const nrx_sym_system *s, double t, const double *z, double *f)
{
    size_t j;
    nrx_status status = nrxi_sym_call_dp(s, t, z, z + s->d, f);
    if (status == NRX_OK) status = s->dq(s->user, t, z, z + s->d, f + s->d);
    for (j = 0; j < s->d; j++) f[s->d + j] = -f[s->d + j];
    return status;
}

/* w = H''(t, z) v; without a Hessian by central differences of the gradient. work [4d]; z is not changed.
   w may not be v. */
NRXI_FN nrx_status nrxi_sym_hess_vec(const nrx_sym_system *s, double t, const double *z, const double *v,
    double *w, double *work)
{
    const size_t d = s->d;
    double size = nrxi_sym_max_abs(2 * d, v), eps, *x = work, *g = work + 2 * d;
    size_t j;
    nrx_status status;
    int side;
    if (s->hess) return s->hess(s->user, t, z, z + d, v, w);
    memset(w, 0, 2 * d * sizeof *w);
    if (size == 0.0) return NRX_OK;
    eps = 6e-6 * (1.0 + nrxi_sym_max_abs(2 * d, z)) / size;
    for (side = 0; side < 2; side++) {
        const double e = side ? -eps : eps;
        for (j = 0; j < 2 * d; j++) x[j] = z[j] + e * v[j];
        status = s->dq(s->user, t, x, x + d, g);
        if (status == NRX_OK) status = nrxi_sym_call_dp(s, t, x, x + d, g + d);
        if (status != NRX_OK) return status;
        for (j = 0; j < 2 * d; j++) w[j] += g[j] / (2.0 * e);
    }
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_sym_vfield_f(void *user, double t, const double *y, double *dydt)
{
    return nrxi_sym_field((const nrx_sym_system *)user, t, y, dydt);
}
NRXI_FN nrx_status nrxi_sym_vfield_jac(void *user, double t, const double *y, double *J)
{
    const nrx_sym_system *s = (const nrx_sym_system *)user;
    const size_t d = s->d, n = 2 * d;
    double *v = (double *)nrxi_calloc(NULL, 2 * n, sizeof *v), *w = v ? v + n : NULL;
    size_t i, j;
    nrx_status status = v ? NRX_OK : NRX_E_NOMEM;
    for (j = 0; j < n && status == NRX_OK; j++) {
        v[j] = 1.0;
        status = s->hess(s->user, t, y, y + d, v, w);
        v[j] = 0.0;
        for (i = 0; i < d; i++) { J[i * n + j] = w[d + i]; J[(d + i) * n + j] = -w[i]; }
    }
    nrxi_free(NULL, v);
    return status;
}
NRX_DEF nrx_status nrx_sym_vfield(const nrx_sym_system *system, nrx_vfield *field)
{
    if (!system || !field || !system->dq || (!system->dp && system->structure != NRX_SYM_NEWTON))
        return nrxi_fail(NULL, NRX_E_ARG, "nrx_sym_vfield: NULL argument or system without gradients");
    field->f = nrxi_sym_vfield_f;
    field->jac = system->hess ? nrxi_sym_vfield_jac : NULL;
    field->user = (void *)(uintptr_t)system;
    field->n = 2 * system->d;
    return NRX_OK;
}

/* ---- rigid body and charged particle in non-canonical variables ---- */

/* Rotation of m about body axis k by the flow of m_k^2/(2 I_k): m' = m x Omega; the attitude turns about
   the same axis. */
NRXI_FN void nrxi_sym_rigid_turn(const double *inertia, double *m, double *Q, int k, double h)
{
    const int i = (k + 1) % 3, j = (k + 2) % 3;
    const double angle = h * m[k] / inertia[k], c = cos(angle), s = sin(angle), mi = m[i], mj = m[j];
    m[i] = c * mi + s * mj;
    m[j] = c * mj - s * mi;
    if (Q) {
        const double ch = cos(0.5 * angle), sh = sin(0.5 * angle), w = Q[0], a = Q[1 + k], b = Q[1 + i],
            e = Q[1 + j];
        Q[0] = ch * w - sh * a;              /* Q <- Q * (ch, sh e_k) */
        Q[1 + k] = ch * a + sh * w;
        Q[1 + i] = ch * b + sh * e;
        Q[1 + j] = ch * e - sh * b;
    }
}

NRX_DEF nrx_status nrx_sym_rigid_body_steps(
    const double inertia[3], double m[3], double quaternion[4], double h, size_t steps, int compose)
{
    nrx_sym_scheme s;
    size_t n;
    int i;
    if (!inertia || !m) return nrxi_fail(NULL, NRX_E_ARG, "nrx_sym_rigid_body_steps: NULL argument");
    for (i = 0; i < 3; i++)
        if (!nrxi_finite_f64(&inertia[i]) || inertia[i] <= 0.0 || !nrxi_finite_f64(&m[i]))
            return nrxi_fail(NULL, NRX_E_ARG,
                "nrx_sym_rigid_body_steps: inertia or momentum %d is not usable", i);
    if (!nrxi_finite_f64(&h) || h == 0.0) return nrxi_fail(NULL, NRX_E_ARG,
        "nrx_sym_rigid_body_steps: step %g", h);
    s.weights = 1; s.w[0] = 1.0;
    if (compose != 0 && (nrx_sym_scheme_get(compose, &s) != NRX_OK || s.weights == 0))
        return nrxi_fail(NULL, NRX_E_ARG, "nrx_sym_rigid_body_steps: method %d is no composition", compose);
    for (n = 0; n < steps; n++)
        for (i = 0; i < s.weights; i++) {
            const double half = 0.5 * h * s.w[i];
            nrxi_sym_rigid_turn(inertia, m, quaternion, 0, half);
            nrxi_sym_rigid_turn(inertia, m, quaternion, 1, half);
            nrxi_sym_rigid_turn(inertia, m, quaternion, 2, 2.0 * half);
            nrxi_sym_rigid_turn(inertia, m, quaternion, 1, half);
            nrxi_sym_rigid_turn(inertia, m, quaternion, 0, half);
        }
    return nrxi_all_finite(m, 3, NRX_F64) ? NRX_OK : NRX_E_NUMERIC;
}

NRX_DEF nrx_status nrx_sym_boris(void (*field)(void *user, double t, const double *x, double *E, double *B),
    void *user, double t0, double h, size_t steps, double x[3], double v[3])
{
    double E[3] = { 0, 0, 0 }, B[3] = { 0, 0, 0 };
    size_t n;
    int i;
    if (!field || !x || !v || !nrxi_finite_f64(&h) || h == 0.0 || !nrxi_all_finite(x, 3, NRX_F64) ||
        !nrxi_all_finite(v, 3, NRX_F64))
        return nrxi_fail(NULL, NRX_E_ARG, "nrx_sym_boris: NULL or not finite argument, or step 0");
    for (n = 0; n < steps; n++) {
        double u[3], w[3], b2 = 0.0, y[3];
        for (i = 0; i < 3; i++) y[i] = x[i] + 0.5 * h * v[i];
        field(user, t0 + ((double)n + 0.5) * h, y, E, B);
        for (i = 0; i < 3; i++) { u[i] = v[i] + 0.5 * h * E[i]; B[i] *= 0.5 * h; b2 += B[i] * B[i]; }
        for (i = 0; i < 3; i++) w[i] = u[i] + u[(i + 1) % 3] * B[(i + 2) % 3] - u[(i + 2) % 3] *
            B[(i + 1) % 3];
        for (i = 0; i < 3; i++)
            u[i] += 2.0 / (1.0 + b2) * (w[(i + 1) % 3] * B[(i + 2) % 3] - w[(i + 2) % 3] * B[(i + 1) % 3]);
        for (i = 0; i < 3; i++) { u[i] += 0.5 * h * E[i]; y[i] += 0.5 * h * u[i]; }
        if (!nrxi_all_finite(y, 3, NRX_F64) || !nrxi_all_finite(u, 3, NRX_F64))
            return nrxi_fail(NULL, NRX_E_NUMERIC, "nrx_sym_boris: not finite in step %zu", n);
        memcpy(x, y, sizeof y); memcpy(v, u, sizeof u);
    }
    return NRX_OK;
}

/* ---- splitting schemes ---- */

NRX_DEF const char *nrx_sym_method_name(int method)
{
    switch (method) {
#define NRX_X_(name, text) case NRX_SYM_##name: return text;
    NRX_SYM_METHODS(NRX_X_)
#undef NRX_X_
    default: return NULL;
    }
}

NRX_DEF int nrx_sym_method_find(const char *name)
{
    int m;
    if (name)
        for (m = 0; m < NRX_SYM_METHOD_COUNT; m++)
            if (strcmp(name, nrx_sym_method_name(m)) == 0) return m;
    return -1;
}

/* n palindromic coefficients with sum 1 from the first (n-1)/2: the rest follows from the sum, to the last
   bit. */
NRXI_FN void nrxi_sym_palindrome(int n, const double *given, double *full)
{
    const int k = (n - 1) / 2;
    double sum = 0.0;
    int i;
    for (i = 0; i < k; i++) { full[i] = full[n - 1 - i] = given[i]; sum += given[i]; }
    if (n % 2) full[k] = 1.0 - 2.0 * sum;
    else full[k] = full[k + 1] = 0.5 - sum;
}

NRXI_FN void nrxi_sym_scheme_start(nrx_sym_scheme *s, int stages, int order, int order_general, int symmetric)
{
    memset(s, 0, sizeof *s);
    s->stages = stages; s->order = order; s->order_general = order_general; s->symmetric = symmetric;
}

/* drift a_0, kick b_0, ..., drift a_n */
NRXI_FN void nrxi_sym_aba(nrx_sym_scheme *s, int stages, int order, int general, const double *a,
    const double *b)
{
    nrxi_sym_scheme_start(s, stages, order, general, 1);
    nrxi_sym_palindrome(stages + 1, a, s->a);
    nrxi_sym_palindrome(stages, b, s->b);
}

/* kick b_0, drift a_0, ..., kick b_n: the outer drifts are zero and the last force is used again */
NRXI_FN void nrxi_sym_bab(nrx_sym_scheme *s, int drifts, int order, int general, const double *a,
    const double *b)
{
    nrxi_sym_scheme_start(s, drifts + 1, order, general, 1);
    nrxi_sym_palindrome(drifts, a, s->a + 1);
    nrxi_sym_palindrome(drifts + 1, b, s->b);
}

/* kick b_1, drift a_1, ..., kick b_n, drift a_n; the last of each from the sum */
NRXI_FN void nrxi_sym_ba(nrx_sym_scheme *s, int stages, int order, int general, const double *a,
    const double *b)
{
    int i;
    nrxi_sym_scheme_start(s, stages, order, general, 0);
    s->a[stages] = s->b[stages - 1] = 1.0;
    for (i = 0; i < stages - 1; i++) {
        s->a[i + 1] = a[i]; s->a[stages] -= a[i];
        s->b[i] = b[i]; s->b[stages - 1] -= b[i];
    }
}

/* S2(w_1 h) ... S2(w_n h) of drift-kick-drift steps */
NRXI_FN void nrxi_sym_compose(nrx_sym_scheme *s, int n, int order, const double *w)
{
    int i;
    nrxi_sym_scheme_start(s, n, order, order, 1);
    s->weights = n;
    nrxi_sym_palindrome(n, w, s->w);
    s->a[0] = s->a[n] = 0.5 * s->w[0];
    for (i = 0; i < n; i++) {
        s->b[i] = s->w[i];
        if (i > 0) s->a[i] = 0.5 * (s->w[i - 1] + s->w[i]);
    }
}

/* Coefficients: Ruth 1983; Forest, Ruth 1990; Yoshida 1990; Suzuki 1990; McLachlan, Atela 1992; McLachlan
   1995; Kahan, Li 1997; Omelyan, Mryglod, Folk 2002; Blanes, Moan 2002; Sofroniou, Spaletta 2005. */
NRXI_FN nrx_status nrxi_sym_scheme_find(int method, nrx_sym_scheme *s)
{
    static const double none[1] = { 0.0 };
    switch (method) {
    case NRX_SYM_VERLET: { nrxi_sym_compose(s, 1, 2, none); break; }
    case NRX_SYM_VERLET_KDK: nrxi_sym_bab(s, 1, 2, 2, none, none); break;
    case NRX_SYM_EULER_A: nrxi_sym_ba(s, 1, 1, 1, none, none); break;
    case NRX_SYM_EULER_B: nrxi_sym_scheme_start(s, 1, 1, 1, 0); s->a[0] = s->b[0] = 1.0; break;
    case NRX_SYM_MCLACHLAN_ATELA2: {
        static const double a[1] = { 0.70710678118654752440 }, b[1] = { 0.29289321881345247560 };
        nrxi_sym_ba(s, 2, 2, 2, a, b); break; }
    case NRX_SYM_MCLACHLAN_S2: {
        static const double b[1] = { 0.19318332750378357396 };
        nrxi_sym_bab(s, 2, 2, 2, none, b); break; }
    case NRX_SYM_RUTH3: {
        static const double a[2] = { 2.0 / 3.0, -2.0 / 3.0 }, b[2] = { 7.0 / 24.0, 0.75 };
        nrxi_sym_ba(s, 3, 3, 3, a, b); break; }
    case NRX_SYM_MCLACHLAN_ATELA3: {
        const double a1 = 0.9196615230173998571, a2 = 0.25 / a1 - 0.5 * a1;
        double a[2], b[2];
        a[0] = a1; a[1] = a2; b[0] = 1.0 - a1 - a2; b[1] = a2;
        nrxi_sym_ba(s, 3, 3, 3, a, b); break; }
    case NRX_SYM_FOREST_RUTH: {
        static const double w[1] = { 1.3512071919596576340 };
        nrxi_sym_compose(s, 3, 4, w); break; }
    case NRX_SYM_SUZUKI4: {
        static const double w[2] = { 0.41449077179437573714, 0.41449077179437573714 };
        nrxi_sym_compose(s, 5, 4, w); break; }
    case NRX_SYM_PEFRL: {
        static const double a[2] = { 0.1786178958448091, -0.06626458266981849 },
            b[1] = { 0.5 + 0.2123418310626054 };
        nrxi_sym_aba(s, 4, 4, 4, a, b); break; }
    case NRX_SYM_VEFRL: {
        static const double a[1] = { 0.5 + 0.02094333910398989 },
            b[2] = { 0.1644986515575760, 1.235692651138917 };
        nrxi_sym_bab(s, 4, 4, 4, a, b); break; }
    case NRX_SYM_MCLACHLAN_ATELA4: {
        static const double a[3] = { 0.5153528374311229364, -0.085782019412973646, 0.4415830236164665242 };
        static const double b[3] = { 0.1344961992774310892, -0.2248198030794208058, 0.7563200005156682911 };
        nrxi_sym_ba(s, 4, 4, 3, a, b); break; }
    case NRX_SYM_MCLACHLAN_S4: {
        static const double a[1] = { 6.0 / 11.0 }, b[2] = { 0.16913927992207204518, -0.29918620390405079951 };
        nrxi_sym_bab(s, 4, 4, 4, a, b); break; }
    case NRX_SYM_MCLACHLAN_S5: {
        static const double a[2] = { 0.4, -0.1 }, b[2] = { 0.089269454226475244887,
            -0.097336042636895508015 };
        nrxi_sym_bab(s, 5, 4, 4, a, b); break; }
    case NRX_SYM_SB3A5: {
        static const double a[2] = { 0.40518861839525227722, -0.28714404081652408900 },
            b[2] = { -3.0 / 73.0, 17.0 / 59.0 };
        nrxi_sym_aba(s, 5, 4, 4, a, b); break; }
    case NRX_SYM_BLANES_MOAN4: {
        static const double a[3] = { 0.0792036964311957, 0.353172906049774, -0.0420650803577195 };
        static const double b[2] = { 0.209515106613362, -0.143851773179818 };
        nrxi_sym_aba(s, 6, 4, 4, a, b); break; }
    case NRX_SYM_SRKN6B: {
        static const double a[2] = { 0.245298957184271, 0.604872665711080 };
        static const double b[3] = { 0.0829844064174052, 0.396309801498368, -0.0390563049223486 };
        nrxi_sym_bab(s, 6, 4, 4, a, b); break; }
    case NRX_SYM_MCLACHLAN_ATELA5: {
        static const double a[5] = { 0.33983962583911, -0.088601336903027329, 0.5858564768259621188,
            -0.603039356536491888, 0.3235807965546976394 };
        static const double b[5] = { 0.1193900292875672758, 0.6989273703824752308, -0.1713123582716007754,
            0.401269502251353448, 0.010705081848235984 };
        nrxi_sym_ba(s, 6, 5, 3, a, b); break; }
    case NRX_SYM_YOSHIDA6: {
        static const double w[3] = { 0.78451361047755726381949763, 0.23557321335935813368479318,
            -1.17767998417887100694641568 };
        nrxi_sym_compose(s, 7, 6, w); break; }
    case NRX_SYM_KAHAN_LI6: {
        static const double w[4] = { 0.39216144400731413927925056, 0.33259913678935943859974864,
            -0.70624617255763935980996482, 0.08221359629355080023149045 };
        nrxi_sym_compose(s, 9, 6, w); break; }
    case NRX_SYM_MCLACHLAN_SS9: {
        static const double w[4] = { 0.1867, 0.55549702371247839916, 0.12946694891347535806,
            -0.84326562338773460855 };
        nrxi_sym_compose(s, 9, 6, w); break; }
    case NRX_SYM_BLANES_MOAN6: {
        static const double a[5] = { 0.0502627644003922, 0.413514300428344, 0.0450798897943977,
            -0.188054853819569, 0.541960678450780 };
        static const double b[4] = { 0.148816447901042, -0.132385865767784, 0.067307604692185,
            0.432666402578175 };
        nrxi_sym_aba(s, 10, 6, 6, a, b); break; }
    case NRX_SYM_SRKN11B: {
        static const double a[5] = { 0.123229775946271, 0.290553797799558, -0.127049212625417,
            -0.246331761062075, 0.357208872795928 };
        static const double b[5] = { 0.0414649985182624, 0.198128671918067, -0.0400061921041533,
            0.0752539843015807, -0.0115113874206879 };
        nrxi_sym_bab(s, 11, 6, 4, a, b); break; }
    case NRX_SYM_SRKN14A: {
        static const double a[7] = { 0.0378593198406116, 0.102635633102435, -0.0258678882665587,
            0.314241403071447, -0.130144459517415, 0.106417700369543, -0.00879424312851058 };
        static const double b[6] = { 0.09171915262446165, 0.183983170005006, -0.05653436583288827,
            0.004914688774712854, 0.143761127168358, 0.328567693746804 };
        nrxi_sym_aba(s, 14, 6, 4, a, b); break; }
    case NRX_SYM_YOSHIDA8: {
        static const double w[7] = { 0.74167036435061295345, -0.40910082580003159400, 0.19075471029623837995,
            -0.57386247111608226666, 0.29906418130365592384, 0.33462491824529818378, 0.31529309239676659663 };
        nrxi_sym_compose(s, 15, 8, w); break; }
    case NRX_SYM_KAHAN_LI8: {
        static const double w[8] = { 0.13020248308889008087881763, 0.56116298177510838456196441,
            -0.38947496264484728640807860, 0.15884190655515560089621075, -0.39590389413323757733623154,
            0.18453964097831570709183254, 0.25837438768632204729397911, 0.29501172360931029887096624 };
        nrxi_sym_compose(s, 17, 8, w); break; }
    case NRX_SYM_MCLACHLAN_SS17: {
        static const double w[8] = { 0.12886597938144329897, 0.5815140871052509624, -0.41017537146985013753,
            0.1851469357165877327, -0.40955234342085141934, 0.14440594108001204106, 0.27833550039367965131,
            0.31495668391629485789 };
        nrxi_sym_compose(s, 17, 8, w); break; }
    case NRX_SYM_SOFRONIOU_SPALETTA10: {
        static const double w[17] = { 0.07879572252168641926390768, 0.31309610341510852776481247,
            0.02791838323507806610952027, -0.22959284159390709415121340, 0.13096206107716486317465686,
            -0.26973340565451071434460973, 0.07497334315589143566613711, 0.11199342399981020488957508,
            0.36613344954622675119314812, -0.39910563013603589787862981, 0.10308739852747107731580277,
            0.41143087395589023782070412, -0.00486636058313526176219566, -0.39203335370863990644808194,
            0.05194250296244964703718290, 0.05066509075992449633587434, 0.04967437063972987905456880 };
        nrxi_sym_compose(s, 35, 10, w); break; }
    case NRX_SYM_SABA2: {   /* Laskar, Robutel 2001: for H_A + eps H_B */
        static const double a[1] = { 0.2113248654051871177454256 };
        nrxi_sym_aba(s, 2, 2, 2, a, none); break; }
    case NRX_SYM_SABA1064: { /* Blanes et al. 2013 */
        static const double a[4] = { 0.03809449742241219545697532, 0.1452987161169137492940201,
            0.2076276957255412507162056, 0.4359097036515261592231549 };
        static const double b[3] = { 0.09585888083707521061077150, 0.2044461531429987806805078,
            0.2170703479789911017143385 };
        nrxi_sym_aba(s, 8, 4, 4, a, b); break; }
    default: return NRX_E_UNSUPPORTED;
    }
    {
        double c = 0.0;
        int i;
        for (i = 0; i < s->stages; i++) { c += s->a[i]; s->c[i] = c; }
    }
    return NRX_OK;
}

NRX_DEF nrx_status nrx_sym_scheme_get(int method, nrx_sym_scheme *scheme)
{
    if (!scheme) return nrxi_fail(NULL, NRX_E_ARG, "nrx_sym_scheme_get: NULL argument");
    if (nrxi_sym_scheme_find(method, scheme) != NRX_OK)
        return nrxi_fail(NULL, NRX_E_UNSUPPORTED, "nrx_sym_scheme_get: method %d is no splitting method",
            method);
    return NRX_OK;
}

/* ---- the stepper behind every integration ---- A run holds the problem and an internal state y
   (positions, momenta, low-order parts, tangents, ... as the family of the method wants it). `begin` makes
   y from z, `steps` moves it, `end` gives z without disturbing y: a look does not change the orbit, and
   copying y back is enough to repeat the last steps one by one when something went wrong. */

typedef struct nrxi_sym_run nrxi_sym_run;
struct nrxi_sym_run {
    const nrx_sym_system *sys;
    const nrx_sym_desc *desc;
    int method, roundoff;
    size_t d, ny;                  /* degrees of freedom; doubles in y */
    double h, t0;
    size_t done;                   /* steps since begin */
    nrx_sym_scheme scheme;         /* splitting: itself; other methods: weights of the composition */
    int stages;                    /* implicit methods */
    /* tableaus of q and p, and extrapolation of the stages into the next step */
    double c[4], b[4], A[16], B[16], E[16];
    size_t masses;                 /* 1 if the drift needs inverse masses */
    double *y, *saved, *look, *im, *work;     /* look [2d]: scratch for events; im [d]; work: per family */
    size_t *piv;
    size_t newton;                 /* rows of the Newton matrix, 0 = none */
    /* doubles of work, pivots, and those at the front of y that must stay finite */
    size_t nwork, npiv, check;
    size_t iterations;
    double defect;
    int corrector;
    nrx_status (*begin)(nrxi_sym_run *run, const double *z);
    nrx_status (*steps)(nrxi_sym_run *run, size_t n);
    nrx_status (*end)(nrxi_sym_run *run, double *z);
};

/* ---- splitting methods; y = q, p, [carry q, carry p] or [lattice], tangents ---- */

NRXI_FN double *nrxi_sym_tangents(const nrxi_sym_run *run)
{
    return run->y + (run->roundoff ? 4 : 2) * run->d;
}

/* x[j] += dx on the lattice of spacing `unit`; the integer stands in the bytes of *k. */
NRXI_FN nrx_status nrxi_sym_lattice_add(double unit, double dx, double *x, double *k)
{
    int64_t n;
    const double u = dx / unit;
    if (!(fabs(u) < 4e18)) return NRX_E_RANGE;
    memcpy(&n, k, sizeof n);
    n += (int64_t)(u < 0.0 ? -floor(0.5 - u) : floor(0.5 + u));
    if (n > (int64_t)9007199254740992 || n < -(int64_t)9007199254740992) return NRX_E_RANGE;
    memcpy(k, &n, sizeof n);
    *x = (double)n * unit;
    return NRX_OK;
}

NRXI_FN double nrxi_sym_lattice_unit(const nrxi_sym_run *run)
{
    return run->desc->lattice > 0.0 ? run->desc->lattice : 3.5527136788005009e-15;
}

NRXI_FN nrx_status nrxi_sym_lattice_set(const nrxi_sym_run *run, double *y)
{
    const size_t n = 2 * run->d;
    const double unit = nrxi_sym_lattice_unit(run);
    size_t j;
    memset(y + n, 0, n * sizeof *y);
    for (j = 0; j < n; j++) {
        const double x = y[j];
        if (nrxi_sym_lattice_add(unit, x, &y[j], &y[n + j]) != NRX_OK) return NRX_E_RANGE;
    }
    return NRX_OK;
}

/* x[0..d) += dx[] in the round-off mode of the run; c = low-order parts */
NRXI_FN nrx_status nrxi_sym_update(const nrxi_sym_run *run, double f, const double *dx, double *x, double *c)
{
    const size_t d = run->d;
    size_t j;
    if (run->roundoff == NRX_SYM_LATTICE) {
        const double unit = nrxi_sym_lattice_unit(run);
        for (j = 0; j < d; j++) {
            nrx_status status = nrxi_sym_lattice_add(unit, f * dx[j], &x[j], &c[j]);
            if (status != NRX_OK) return status;
        }
    } else if (run->roundoff == NRX_SYM_COMPENSATED) {
        for (j = 0; j < d; j++) nrxi_sym_add2(&x[j], &c[j], f * dx[j]);
    } else {
        for (j = 0; j < d; j++) x[j] += f * dx[j];
    }
    return NRX_OK;
}

/* One drift (`kick` 0) or kick of state y with everything that is carried along; v [8d] scratch. */
NRXI_FN nrx_status nrxi_sym_move(const nrxi_sym_run *run, int kick, double t, double h, double *y,
    double *tangent, double *v)
{
    const nrx_sym_system *s = run->sys;
    const size_t d = run->d, n = 2 * d;
    double *in = v, *out = v + n, *work = v + 2 * n;
    size_t k, j;
    nrx_status status;
    for (k = 0; k < run->desc->tangents; k++) {
        double *w = tangent + k * n;
        memset(in, 0, n * sizeof *in);
        memcpy(in + (kick ? 0 : d), w + (kick ? 0 : d), d * sizeof *in);
        status = nrxi_sym_hess_vec(s, t, y, in, out, work);
        if (status != NRX_OK) return status;
        for (j = 0; j < d; j++) {
            if (kick) w[d + j] -= h * out[j];
            else w[j] += h * out[d + j];
        }
    }
    if (kick) {
        status = s->dq(s->user, t, y, y + d, v);
        return status == NRX_OK ? nrxi_sym_update(run, -h, v, y + d, y + n + d) : status;
    }
    status = nrxi_sym_call_dp(s, t, y, y + d, v);
    return status == NRX_OK ? nrxi_sym_update(run, h, v, y, y + n) : status;
}

/* Everything allowed: tangents, lattice, T(p) by callback. */
NRXI_FN nrx_status nrxi_sym_split_general(nrxi_sym_run *run, size_t steps)
{
    const nrx_sym_scheme *s = &run->scheme;
    double *tangent = nrxi_sym_tangents(run);
    size_t n;
    int i;
    nrx_status status;
    for (n = 0; n < steps; n++, run->done++)
        for (i = 0; i < s->stages; i++) {
            const double a = i > 0 ? s->a[i] : run->done ? s->a[0] + s->a[s->stages] : s->a[0];
            const double t = run->t0 + ((double)run->done + s->c[i]) * run->h;
            if (a != 0.0) {
                status = nrxi_sym_move(run, 0, t, a * run->h, run->y, tangent, run->work);
                if (status != NRX_OK) return status;
            }
            status = nrxi_sym_move(run, 1, t, s->b[i] * run->h, run->y, tangent, run->work);
            if (status != NRX_OK) return status;
        }
    return NRX_OK;
}

/* The loop of a callback system with diagonal masses: the same as nrxi_sym_hook_one for any d. */
NRXI_SYM_TEMPLATE nrx_status nrxi_sym_split_loop(nrxi_sym_run *run, int compensated, int masses, size_t steps)
{
    const nrx_sym_scheme *s = &run->scheme;
    const nrx_sym_grad_fn gradient = run->sys->dq;
    void *user = run->sys->user;
    const size_t d = run->d;
    double *q = run->y, *p = q + d, *cq = p + d, *cp = cq + d, *g = run->work;
    const double *im = run->im, merged = s->a[0] + s->a[s->stages], h = run->h, t0 = run->t0;
    double n = (double)run->done, a = run->done ? merged : s->a[0];
    size_t j, step;
    int i, fresh = 0;
    for (step = 0; step < steps; step++) {
        for (i = 0; i < s->stages; i++) {
            const double ah = a * h, bh = -s->b[i] * h;
            if (i > 0 || a != 0.0 || !fresh) {
                nrx_status status;
                for (j = 0; j < d; j++) {
                    const double dq = masses ? ah * (im[j] * p[j]) : ah * p[j];
                    if (compensated) nrxi_sym_add2(&q[j], &cq[j], dq);
                    else q[j] += dq;
                }
                status = gradient(user, t0 + (n + s->c[i]) * h, q, p, g);
                if (status != NRX_OK) return status;
                fresh = 1;
            }
            for (j = 0; j < d; j++) {
                if (compensated) nrxi_sym_add2(&p[j], &cp[j], bh * g[j]);
                else p[j] += bh * g[j];
            }
            a = s->a[i + 1];
        }
        a = merged;
        n += 1.0;
    }
    run->done += steps;
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_split_plain(nrxi_sym_run *run, size_t steps)
{
    return nrxi_sym_split_loop(run, 0, 0, steps);
}
NRXI_FN nrx_status nrxi_sym_split_comp(nrxi_sym_run *run, size_t steps)
{
    return nrxi_sym_split_loop(run, 1, 0, steps);
}
NRXI_FN nrx_status nrxi_sym_split_plain_m(nrxi_sym_run *run, size_t steps)
{
    return nrxi_sym_split_loop(run, 0, 1, steps);
}
NRXI_FN nrx_status nrxi_sym_split_comp_m(nrxi_sym_run *run, size_t steps)
{
    return nrxi_sym_split_loop(run, 1, 1, steps);
}
NRXI_FN nrx_status nrxi_sym_split_hook(nrxi_sym_run *run, size_t steps)
{
    nrx_status status = run->sys->hook(run->sys->user, &run->scheme, run->t0, run->h, run->done, steps, 0,
        run->y, run->roundoff == NRX_SYM_COMPENSATED ? run->y + 2 * run->d : NULL);
    run->done += steps;
    return status;
}

NRXI_FN nrx_status nrxi_sym_state_begin(nrxi_sym_run *run, const double *z)
{
    const size_t n = 2 * run->d;
    nrx_status status = NRX_OK;
    memcpy(run->y, z, n * sizeof *z);
    if (run->roundoff == NRX_SYM_LATTICE) status = nrxi_sym_lattice_set(run, run->y);
    if (run->roundoff == NRX_SYM_COMPENSATED) {
        if (run->desc->carry) memcpy(run->y + n, run->desc->carry, n * sizeof *z);
        else memset(run->y + n, 0, n * sizeof *z);
    }
    if (run->desc->tangents) memcpy(nrxi_sym_tangents(run), run->desc->tangent,
        run->desc->tangents * n * sizeof *z);
    run->done = 0;
    return status;
}

/* z, and for the caller's arrays carry and tangent, from a copy y of the state */
NRXI_FN void nrxi_sym_state_out(const nrxi_sym_run *run, const double *y, double *z)
{
    const size_t n = 2 * run->d;
    if (z != y) memcpy(z, y, n * sizeof *z);
    if (run->roundoff == NRX_SYM_COMPENSATED && run->desc->carry) memcpy(run->desc->carry, y + n,
        n * sizeof *z);
    if (run->desc->tangents)
        memcpy(run->desc->tangent, y + (run->roundoff ? 2 : 1) * n, run->desc->tangents * n * sizeof *z);
}

NRXI_FN nrx_status nrxi_sym_state_end(nrxi_sym_run *run, double *z)
{
    nrxi_sym_state_out(run, run->y, z);
    return NRX_OK;
}

/* The closing drift on a copy. */
NRXI_FN nrx_status nrxi_sym_split_end(nrxi_sym_run *run, double *z)
{
    const double a = run->scheme.a[run->scheme.stages];
    double *copy = run->work + 8 * run->d + 8;
    nrx_status status = NRX_OK;
    memcpy(copy, run->y, run->ny * sizeof *copy);
    if (run->done && a != 0.0)
        status = nrxi_sym_move(run, 0, run->t0 + (double)run->done * run->h, a * run->h, copy,
            copy + (run->roundoff ? 4 : 2) * run->d, run->work);
    if (status == NRX_OK) nrxi_sym_state_out(run, copy, z);
    return status;
}

/* ---- implicit Runge-Kutta: Gauss, Lobatto IIIA-IIIB; y = q, p, carry, tangents, stage slopes K [s][2d]
   ---- */

/* integral_0^x of the Lagrange polynomial j over nodes c[s] */
NRXI_FN double nrxi_sym_lagrange_integral(int s, const double *c, int j, double x)
{
    double poly[5] = { 1.0, 0, 0, 0, 0 }, scale = 1.0, sum = 0.0, power = x;
    int i, k, degree = 0;
    for (i = 0; i < s; i++) {
        if (i == j) continue;
        degree++;
        for (k = degree; k > 0; k--) poly[k] = poly[k - 1] - c[i] * poly[k];
        poly[0] *= -c[i];
        scale *= c[j] - c[i];
    }
    for (k = 0; k <= degree; k++) { sum += poly[k] * power / (double)(k + 1); power *= x; }
    return sum / scale;
}

NRXI_FN double nrxi_sym_lagrange(int s, const double *c, int j, double x)
{
    double v = 1.0;
    int i;
    for (i = 0; i < s; i++) if (i != j) v *= (x - c[i]) / (c[j] - c[i]);
    return v;
}

/* Tableaus (Hairer, Lubich, Wanner II.1): A for q, B for p with b_i B_ij + b_j A_ji = b_i b_j, the
   condition of symplecticity. */
NRXI_FN void nrxi_sym_tableau(nrxi_sym_run *run)
{
    static const double gauss[4][4] = { { 0.5, 0, 0, 0 },
        { 0.21132486540518711775, 0.78867513459481288225, 0, 0 },
        { 0.11270166537925831148, 0.5, 0.88729833462074168852, 0 },
        { 0.06943184420297371238803, 0.3300094782075718675987, 0.6699905217924281324013,
            0.9305681557970262876120 } };
    static const double gauss_b[4][4] = { { 1.0, 0, 0, 0 }, { 0.5, 0.5, 0, 0 },
        { 5.0 / 18.0, 4.0 / 9.0, 5.0 / 18.0, 0 },
        { 0.1739274225687269286865, 0.3260725774312730713135, 0.3260725774312730713135,
            0.1739274225687269286865 } };
    static const double lobatto[3][4] = { { 0, 1, 0, 0 }, { 0, 0.5, 1, 0 },
        { 0, 0.27639320225002103036, 0.72360679774997896964, 1 } };
    static const double lobatto_b[3][4] = { { 0.5, 0.5, 0, 0 }, { 1.0 / 6.0, 2.0 / 3.0, 1.0 / 6.0, 0 },
        { 1.0 / 12.0, 5.0 / 12.0, 5.0 / 12.0, 1.0 / 12.0 } };
    const int is_gauss = run->method <= NRX_SYM_GAUSS8;
    int s, i, j;
    s = is_gauss ? run->method - NRX_SYM_MIDPOINT + 1 : run->method - NRX_SYM_LOBATTO2 + 2;
    run->stages = s;
    for (i = 0; i < s; i++) {
        run->c[i] = is_gauss ? gauss[s - 1][i] : lobatto[s - 2][i];
        run->b[i] = is_gauss ? gauss_b[s - 1][i] : lobatto_b[s - 2][i];
    }
    for (i = 0; i < s; i++)
        for (j = 0; j < s; j++) {
            run->A[4 * i + j] = nrxi_sym_lagrange_integral(s, run->c, j, run->c[i]);
            run->E[4 * i + j] = nrxi_sym_lagrange(s, run->c, j, 1.0 + run->c[i]);
        }
    for (i = 0; i < s; i++)
        for (j = 0; j < s; j++) {
            if (is_gauss) {
                if (i == j) run->A[4 * i + j] = 0.5 * run->b[i];
                if (i > j) run->A[4 * i + j] = run->b[j] - run->b[j] * run->A[4 * j + i] / run->b[i];
            }
            run->B[4 * i + j] = is_gauss ? run->A[4 * i + j] : run->b[j] - run->b[j] * run->A[4 * j + i] /
                run->b[i];
        }
}

NRXI_FN double *nrxi_sym_irk_slopes(const nrxi_sym_run *run)
{
    return nrxi_sym_tangents(run) + 2 * run->d * run->desc->tangents;
}

/* Z = y + h sum_j A_ij K_j (q rows by A, p rows by B) */
NRXI_FN void nrxi_sym_irk_stage(const nrxi_sym_run *run, int i, double h, const double *base, const double *K,
    double *Z)
{
    const size_t d = run->d, n = 2 * d;
    size_t j;
    int k;
    for (j = 0; j < n; j++) {
        const double *row = (j < d ? run->A : run->B) + 4 * i;
        double sum = 0.0;
        for (k = 0; k < run->stages; k++) sum += row[k] * K[(size_t)k * n + j];
        Z[j] = base[j] + h * sum;
    }
}

/* I - h (A x f') factored; f' at the state y. M [newton][newton], columns through the Hessian; scratch v
   [8d]. */
NRXI_FN nrx_status nrxi_sym_irk_matrix(nrxi_sym_run *run, double t, double h, const double *y, double *M,
    double *v)
{
    const size_t d = run->d, n = 2 * d, s = (size_t)run->stages, N = s * n;
    double *e = v, *w = v + n, *work = v + 2 * n;
    size_t i, j, r, col;
    nrx_status status;
    memset(e, 0, n * sizeof *e);
    for (col = 0; col < n; col++) {
        e[col] = 1.0;
        status = nrxi_sym_hess_vec(run->sys, t, y, e, w, work);
        e[col] = 0.0;
        if (status != NRX_OK) return status;
        for (i = 0; i < s; i++)
            for (j = 0; j < s; j++)
                for (r = 0; r < n; r++) {
                    const double a = (col < d ? run->A : run->B)[4 * i + j], f = r < d ? w[d + r] : -w[r - d];
                    M[(i * n + r) * N + j * n + col] = (i == j && r == col ? 1.0 : 0.0) - h * a * f;
                }
    }
    return nrxi_sym_lu(N, M, run->piv);
}

/* The slopes K of one step by fixed point or simplified Newton, iterated to the level of round-off: a
   looser stop would let the energy drift (Hairer, McLachlan, Razakarivony 2008). */
NRXI_FN nrx_status nrxi_sym_irk_solve(nrxi_sym_run *run, double t, double h, double *K, int newton)
{
    const size_t d = run->d, n = 2 * d, s = (size_t)run->stages;
    const int limit = run->desc->max_iterations ? run->desc->max_iterations : 50;
    const double scale = nrxi_sym_max_abs(n, run->y) + 1e-300;
    double *Z = run->work, *R = Z + n, *v = R + s * n, *M = v + 8 * d, previous = HUGE_VAL;
    int it, calm = 0;
    size_t i, j;
    nrx_status status;
    if (newton) {
        nrxi_sym_irk_stage(run, run->stages / 2, h, run->y, K, Z);
        status = nrxi_sym_irk_matrix(run, t, h, nrxi_all_finite(Z, n, NRX_F64) ? Z : run->y, M, v);
        if (status != NRX_OK) return status;
    }
    for (it = 0; it < limit; it++) {
        double change = 0.0;
        run->iterations++;
        for (i = 0; i < s; i++) {
            double *r = R + i * n;
            nrxi_sym_irk_stage(run, (int)i, h, run->y, K, Z);
            status = nrxi_sym_field(run->sys, t + run->c[i] * h, Z, r);
            if (status != NRX_OK) return status;
            for (j = 0; j < n; j++) r[j] -= K[i * n + j];
        }
        if (newton) nrxi_sym_lu_solve(s * n, M, run->piv, R);
        for (j = 0; j < s * n; j++) {
            K[j] += R[j];
            if (fabs(h * R[j]) > change) change = fabs(h * R[j]);
        }
        if (!nrxi_all_finite(K, s * n, NRX_F64)) return NRX_E_NUMERIC;
        if (change == 0.0) return NRX_OK;
        if (change <= 1e-14 * scale && (change >= previous || ++calm >= 3)) return NRX_OK;
        if (it > 8 && change > 1e3 * scale) return NRX_E_NUMERIC;
        previous = change;
    }
    return previous <= 1e-13 * scale ? NRX_OK : NRX_E_NUMERIC;
}

/* dK of each tangent, by fixed point iteration of the linearised equations */
NRXI_FN nrx_status nrxi_sym_irk_tangents(nrxi_sym_run *run, double t, double h, const double *K)
{
    const size_t d = run->d, n = 2 * d, s = (size_t)run->stages;
    double *Z = run->work, *L = Z + n, *v = L + s * n, *w = v + n;
    size_t k, i, j;
    int it;
    nrx_status status;
    for (k = 0; k < run->desc->tangents; k++) {
        double *x = nrxi_sym_tangents(run) + k * n, previous = HUGE_VAL;
        const double scale = nrxi_sym_max_abs(n, x) + 1e-300;
        memset(L, 0, s * n * sizeof *L);
        for (it = 0; it < 200; it++) {
            double change = 0.0;
            for (i = 0; i < s; i++) {
                nrxi_sym_irk_stage(run, (int)i, h, x, L, v);
                nrxi_sym_irk_stage(run, (int)i, h, run->y, K, Z);
                status = nrxi_sym_hess_vec(run->sys, t + run->c[i] * h, Z, v, w, w + n);
                if (status != NRX_OK) return status;
                for (j = 0; j < n; j++) {
                    const double f = j < d ? w[d + j] : -w[j - d], diff = fabs(h * (f - L[i * n + j]));
                    if (diff > change) change = diff;
                    L[i * n + j] = f;
                }
            }
            if (change == 0.0 || (change <= 1e-14 * scale && change >= previous)) break;
            previous = change;
        }
        if (it == 200 && !(previous <= 1e-12 * scale)) return NRX_E_NUMERIC;
        for (i = 0; i < s; i++) for (j = 0; j < n; j++) x[j] += h * run->b[i] * L[i * n + j];
    }
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_sym_irk_step(nrxi_sym_run *run, double t, double h, int extrapolate)
{
    const size_t d = run->d, n = 2 * d, s = (size_t)run->stages;
    double *K = nrxi_sym_irk_slopes(run), *old = run->work + 2 * n + s * n + 8 * d + run->newton *
        run->newton;
    const int solver = run->desc->solver;
    size_t i, j, k;
    nrx_status status;
    memcpy(old, K, s * n * sizeof *K);
    if (extrapolate) {
        for (i = 0; i < s; i++)
            for (j = 0; j < n; j++) {
                double sum = 0.0;
                for (k = 0; k < s; k++) sum += run->E[4 * i + k] * old[k * n + j];
                K[i * n + j] = sum;
            }
    } else {
        status = nrxi_sym_field(run->sys, t, run->y, K);
        if (status != NRX_OK) return status;
        for (i = 1; i < s; i++) memcpy(K + i * n, K, n * sizeof *K);
    }
    status = NRX_E_NUMERIC;
    if (solver != NRX_SYM_SOLVE_NEWTON) {
        memcpy(old, K, s * n * sizeof *K);
        status = nrxi_sym_irk_solve(run, t, h, K, 0);
    }
    if (status == NRX_E_NUMERIC && solver != NRX_SYM_SOLVE_FIXED_POINT && run->newton) {
        if (solver != NRX_SYM_SOLVE_NEWTON) memcpy(K, old, s * n * sizeof *K);
        status = nrxi_sym_irk_solve(run, t, h, K, 1);
    }
    if (status != NRX_OK) return status;
    if (run->desc->tangents) {
        status = nrxi_sym_irk_tangents(run, t, h, K);
        if (status != NRX_OK) return status;
    }
    for (j = 0; j < n; j++) {
        double sum = 0.0;
        for (i = 0; i < s; i++) sum += run->b[i] * K[i * n + j];
        if (run->roundoff == NRX_SYM_COMPENSATED) nrxi_sym_add2(&run->y[j], &run->y[n + j], h * sum);
        else run->y[j] += h * sum;
    }
    return NRX_OK;
}

/* Steps of a one-step map, composed with the weights of run->scheme. */
NRXI_FN nrx_status nrxi_sym_irk_steps(nrxi_sym_run *run, size_t steps)
{
    size_t n;
    int i;
    for (n = 0; n < steps; n++, run->done++) {
        double at = 0.0;
        for (i = 0; i < run->scheme.weights; i++) {
            nrx_status status = nrxi_sym_irk_step(run, run->t0 + ((double)run->done + at) * run->h,
                run->scheme.w[i] * run->h, run->done > 0 && run->scheme.weights == 1);
            if (status != NRX_OK) return status;
            at += run->scheme.w[i];
        }
    }
    return NRX_OK;
}

/* ---- doubled phase space for general H: y = q, x, p, y ---- */

/* A: flow of H(q, y): p -= h H_q(q, y), x += h H_p(q, y). B: flow of H(x, p): q += h H_p(x, p), y -= h
   H_q(x, p). */
NRXI_FN nrx_status nrxi_sym_tao_half(nrxi_sym_run *run, int which, double t, double h)
{
    const size_t d = run->d;
    double *q = run->y, *x = q + d, *p = x + d, *y = p + d, *g = run->work;
    const double *at = which ? x : q, *mom = which ? p : y;
    double *dp = which ? y : p, *dq = which ? q : x;
    size_t j;
    nrx_status status = run->sys->dq(run->sys->user, t, at, mom, g);
    if (status == NRX_OK) status = nrxi_sym_call_dp(run->sys, t, at, mom, g + d);
    if (status != NRX_OK) return status;
    for (j = 0; j < d; j++) { dp[j] -= h * g[j]; dq[j] += h * g[d + j]; }
    return NRX_OK;
}

NRXI_FN void nrxi_sym_tao_bind(nrxi_sym_run *run, double h)
{
    const size_t d = run->d;
    const double angle = 2.0 * (run->desc->omega != 0.0 ? run->desc->omega : 20.0) * h, c = cos(angle),
        s = sin(angle);
    double *q = run->y, *x = q + d, *p = x + d, *y = p + d;
    size_t j;
    for (j = 0; j < d; j++) {
        const double u = q[j] - x[j], v = p[j] - y[j], su = q[j] + x[j], sv = p[j] + y[j];
        const double u1 = c * u + s * v, v1 = c * v - s * u;
        q[j] = 0.5 * (su + u1); x[j] = 0.5 * (su - u1);
        p[j] = 0.5 * (sv + v1); y[j] = 0.5 * (sv - v1);
    }
}

/* S2 = A(h/2) B(h/2) C(h) B(h/2) A(h/2), composed; without the binding C for the projected method */
NRXI_FN nrx_status nrxi_sym_tao_one(nrxi_sym_run *run, double t, double H, int bind)
{
    int i;
    nrx_status status = NRX_OK;
    double at = 0.0;
    for (i = 0; i < run->scheme.weights && status == NRX_OK; i++) {
        const double h = run->scheme.w[i] * H, mid = t + (at + 0.5 * run->scheme.w[i]) * H;
        status = nrxi_sym_tao_half(run, 0, t + at * H, 0.5 * h);
        if (status == NRX_OK) status = nrxi_sym_tao_half(run, 1, mid, bind ? 0.5 * h : h);
        if (status == NRX_OK && bind) {
            nrxi_sym_tao_bind(run, h);
            status = nrxi_sym_tao_half(run, 1, mid, 0.5 * h);
        }
        at += run->scheme.w[i];
        if (status == NRX_OK) status = nrxi_sym_tao_half(run, 0, t + at * H, 0.5 * h);
    }
    return status;
}

NRXI_FN nrx_status nrxi_sym_tao_begin(nrxi_sym_run *run, const double *z)
{
    const size_t d = run->d;
    memcpy(run->y, z, d * sizeof *z); memcpy(run->y + d, z, d * sizeof *z);
    memcpy(run->y + 2 * d, z + d, d * sizeof *z); memcpy(run->y + 3 * d, z + d, d * sizeof *z);
    run->done = 0;
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_tao_end(nrxi_sym_run *run, double *z)
{
    const size_t d = run->d;
    size_t j;
    run->defect = 0.0;
    for (j = 0; j < d; j++) {
        const double u = fabs(run->y[j] - run->y[d + j]), v = fabs(run->y[2 * d + j] - run->y[3 * d + j]);
        if (u > run->defect) run->defect = u;
        if (v > run->defect) run->defect = v;
    }
    memcpy(z, run->y, d * sizeof *z);
    memcpy(z + d, run->y + 2 * d, d * sizeof *z);
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_tao_steps(nrxi_sym_run *run, size_t steps)
{
    size_t n;
    for (n = 0; n < steps; n++, run->done++) {
        nrx_status status = nrxi_sym_tao_one(run, run->t0 + (double)run->done * run->h, run->h, 1);
        if (status != NRX_OK) return status;
    }
    return NRX_OK;
}

/* Symmetric projection (Jayawardana, Ohsawa, arXiv 2111.10915): start the copies at z + mu and z - mu so
   that after the step and a second shift by the same mu they coincide again; mu by simplified Newton to
   round-off. Symplectic in (q, p). */
NRXI_FN nrx_status nrxi_sym_semi_steps(nrxi_sym_run *run, size_t steps)
{
    const size_t d = run->d, n = 2 * d;
    double *z = run->work + n, *mu = z + n;
    const int limit = run->desc->max_iterations ? run->desc->max_iterations : 50;
    size_t step, j;
    for (step = 0; step < steps; step++, run->done++) {
        double previous = HUGE_VAL, scale;
        int it;
        for (j = 0; j < d; j++) { z[j] = run->y[j]; z[d + j] = run->y[2 * d + j]; mu[j] = mu[d + j] = 0.0; }
        scale = nrxi_sym_max_abs(n, z) + 1e-300;
        for (it = 0; it < limit; it++) {
            double change = 0.0;
            nrx_status status;
            for (j = 0; j < n; j++) {
                double *first = run->y + (j < d ? j : d + j);
                first[0] = z[j] + mu[j]; first[d] = z[j] - mu[j];
            }
            status = nrxi_sym_tao_one(run, run->t0 + (double)run->done * run->h, run->h, 0);
            if (status != NRX_OK) return status;
            run->iterations++;
            for (j = 0; j < n; j++) {
                const double *first = run->y + (j < d ? j : d + j),
                    r = 0.25 * (first[0] - first[d] + 2.0 * mu[j]);
                if (!nrxi_finite_f64(&r)) return NRX_E_NUMERIC;
                mu[j] -= r;
                if (fabs(r) > change) change = fabs(r);
            }
            if (change == 0.0 || (change <= 1e-14 * scale && change >= previous)) break;
            previous = change;
        }
        if (it == limit && !(previous <= 1e-13 * scale)) return NRX_E_NUMERIC;
        for (j = 0; j < n; j++) {
            double *first = run->y + (j < d ? j : d + j);
            first[0] = first[d] = 0.5 * (first[0] + first[d]);
        }
    }
    return NRX_OK;
}

/* ---- Kepler arcs in universal variables ---- */

/* Stumpff functions c0 .. c3 of z: argument quartered until |z| <= 0.1, series, and four-fold back. */
NRXI_FN void nrxi_sym_stumpff(double z, double *c0, double *c1, double *c2, double *c3)
{
    int k = 0;
    double u, v;
    while (fabs(z) > 0.1) {
        z *= 0.25;
        k++;
        if (k > 520) break;
    }
    v = 1.0 / 6.0 - z * (1.0 / 120.0 - z * (1.0 / 5040.0 - z * (1.0 / 362880.0 - z * (1.0 / 39916800.0 -
        z * (1.0 / 6227020800.0)))));
    u = 0.5 - z * (1.0 / 24.0 - z * (1.0 / 720.0 - z * (1.0 / 40320.0 - z * (1.0 / 3628800.0 -
        z * (1.0 / 479001600.0 - z * (1.0 / 87178291200.0))))));
    *c3 = v; *c2 = u; *c1 = 1.0 - z * v; *c0 = 1.0 - z * u;
    for (; k > 0; k--) {
        *c3 = 0.25 * (*c2 + *c0 * *c3);
        *c2 = 0.5 * *c1 * *c1;
        *c1 = *c0 * *c1;
        *c0 = 2.0 * *c0 * *c0 - 1.0;
    }
}

typedef struct nrxi_sym_arc { double r0, beta, eta, zeta, mu, h, G0, G1, G2, G3; } nrxi_sym_arc;

/* f(X) = r0 X + eta G2 + zeta G3 - h and r(X) = f' */
NRXI_FN double nrxi_sym_arc_f(nrxi_sym_arc *a, double X, double *slope)
{
    double c0, c1, c2, c3;
    nrxi_sym_stumpff(a->beta * X * X, &c0, &c1, &c2, &c3);
    a->G0 = c0; a->G1 = X * c1; a->G2 = X * X * c2; a->G3 = X * X * X * c3;
    *slope = a->r0 + a->eta * a->G1 + a->zeta * a->G2;
    return a->r0 * X + a->eta * a->G2 + a->zeta * a->G3 - a->h;
}

/* The last step: G(X - e) by its Taylor series, true to rounding for steps that arc_solve finds small. */
NRXI_FN void nrxi_sym_arc_shift(nrxi_sym_arc *a, double e)
{
    const double G1 = a->G1 - e * (a->G0 + 0.5 * e * a->beta * a->G1);
    const double G2 = a->G2 - e * (a->G1 - 0.5 * e * a->G0);
    a->G3 -= e * (a->G2 - 0.5 * e * a->G1);
    a->G1 = G1; a->G2 = G2;
}

/* Solves f(X) = 0: Halley from the second-order guess, whose next error is of third order in the step, so
   the evaluation that would only confirm it is saved; f is monotone, so a bracket by doubling and bisection
   always ends. */
NRXI_FN nrx_status nrxi_sym_arc_solve(nrxi_sym_arc *a)
{
    double X, lo, hi, f, r, step;
    int i;
    X = a->h / a->r0 * (1.0 - 0.5 * a->h * a->eta / (a->r0 * a->r0));
    if (!nrxi_finite_f64(&X)) return NRX_E_NUMERIC;
    for (i = 0; i < 20; i++) {
        double bend;
        f = nrxi_sym_arc_f(a, X, &r);
        if (!(r > 0.0)) break;
        step = f / r;
        bend = 0.5 * step * (a->eta * a->G0 + a->zeta * a->G1) / r;
        if (fabs(step) <= 1e-6 * fabs(X) && fabs(bend) <= 1e-6 && fabs(a->zeta) * step * step <= 1e-11 * r &&
            fabs(a->beta) * step * step <= 1e-11) {
            nrxi_sym_arc_shift(a, step * (1.0 + bend));
            return NRX_OK;
        }
        if (i > 3 && fabs(step) > 0.5 * fabs(X)) break;
        X -= fabs(bend) < 0.5 ? step / (1.0 - bend) : step;
    }
    lo = hi = 0.0;
    step = a->h / a->r0;
    for (i = 0; i < 200; i++) {
        if (a->h > 0.0) { hi += step; f = nrxi_sym_arc_f(a, hi, &r); if (f >= 0.0) break; lo = hi; }
        else { lo += step; f = nrxi_sym_arc_f(a, lo, &r); if (f <= 0.0) break; hi = lo; }
        if (!nrxi_finite_f64(&f)) return NRX_E_NUMERIC;
        step *= 1.5;
    }
    for (i = 0; i < 200; i++) {
        X = 0.5 * (lo + hi);
        f = nrxi_sym_arc_f(a, X, &r);
        if (!nrxi_finite_f64(&f)) return NRX_E_NUMERIC;
        if (X == lo || X == hi) return NRX_OK;
        if (f > 0.0) hi = X; else lo = X;
    }
    return NRX_OK;
}

/* The constants of the arc from (r, v) that lasts h. */
NRXI_FN nrx_status nrxi_sym_arc_from(nrxi_sym_arc *a, double mu, double h, size_t dim, const double *r,
    const double *v)
{
    double v2 = 0.0;
    size_t k;
    a->r0 = 0.0; a->eta = 0.0; a->mu = mu; a->h = h;
    for (k = 0; k < dim; k++) { a->r0 += r[k] * r[k]; a->eta += r[k] * v[k]; v2 += v[k] * v[k]; }
    a->r0 = sqrt(a->r0);
    if (!(a->r0 > 0.0) || !nrxi_finite_f64(&a->r0) || !nrxi_finite_f64(&v2)) return NRX_E_NUMERIC;
    a->beta = 2.0 * mu / a->r0 - v2;
    a->zeta = mu - a->beta * a->r0;
    return NRX_OK;
}

/* To the end of a solved arc. */
NRXI_FN nrx_status nrxi_sym_arc_go(const nrxi_sym_arc *a, size_t dim, double *r, double *v)
{
    const double mu = a->mu, r1 = a->r0 + a->eta * a->G1 + a->zeta * a->G2;
    const double f = -mu * a->G2 / a->r0, g = a->h - mu * a->G3, fd = -mu * a->G1 / (a->r0 * r1),
                 gd = -mu * a->G2 / r1;
    size_t k;
    if (!(r1 > 0.0)) return NRX_E_NUMERIC;
    for (k = 0; k < dim; k++) {
        const double x = r[k], u = v[k];
        r[k] += f * x + g * u;
        v[k] += fd * x + gd * u;
    }
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_sym_arc_move(double mu, double h, size_t dim, double *r, double *v)
{
    nrxi_sym_arc a;
    if (nrxi_sym_arc_from(&a, mu, h, dim, r, v) != NRX_OK) return NRX_E_NUMERIC;
    if (a.beta > 0.0) {   /* whole revolutions change nothing */
        const double period = 2.0 * NRX_PI * mu / (a.beta * sqrt(a.beta));
        if (fabs(a.h) > 0.5 * period) a.h = fmod(a.h, period);
        if (fabs(a.h) > 0.5 * period) a.h += a.h > 0.0 ? -period : period;
    }
    while (a.beta < 0.0) {
        /* Along a hyperbola the G grow like exp(sqrt(-beta) X), and on the way in nearly all of it cancels:
           pieces of X = 2 / sqrt(-beta) until the end is nearer. */
        double slope, piece;
        a.h = 0.0;
        piece = nrxi_sym_arc_f(&a, (h > 0.0 ? 2.0 : -2.0) / sqrt(-a.beta), &slope);
        a.h = h;
        if (!(fabs(piece) < fabs(h))) break;
        a.h = piece;
        h -= piece;
        if (nrxi_sym_arc_go(&a, dim, r, v) != NRX_OK || nrxi_sym_arc_from(&a, mu, h, dim, r, v) != NRX_OK)
            return NRX_E_NUMERIC;
    }
    if (a.h == 0.0) return NRX_OK;
    if (nrxi_sym_arc_solve(&a) != NRX_OK) return NRX_E_NUMERIC;
    return nrxi_sym_arc_go(&a, dim, r, v);
}

NRX_DEF nrx_status nrx_sym_kepler_arc(double mu, double dt, size_t dim, double *r, double *v)
{
    double a[16], b[16];
    nrx_status status;
    if (!r || !v || dim == 0 || dim > 16 || !nrxi_finite_f64(&mu) || mu <= 0.0 || !nrxi_finite_f64(&dt))
        return nrxi_fail(NULL, NRX_E_ARG,
            "nrx_sym_kepler_arc: NULL argument, dimension beyond 16, or mass %g not positive", mu);
    memcpy(a, r, dim * sizeof *r); memcpy(b, v, dim * sizeof *v);
    status = nrxi_sym_arc_move(mu, dt, dim, a, b);
    if (status == NRX_OK && (!nrxi_all_finite(a, dim, NRX_F64) || !nrxi_all_finite(b, dim, NRX_F64))) status =
        NRX_E_NUMERIC;
    if (status != NRX_OK) return nrxi_fail(NULL, status,
        "nrx_sym_kepler_arc: no solution (r = 0 or not finite)");
    memcpy(r, a, dim * sizeof *r); memcpy(v, b, dim * sizeof *v);
    return NRX_OK;
}

/* ---- Wisdom-Holman: Jacobi coordinates; y = r [n][dim], v [n][dim], entry 0 the centre of mass ---- */

/* Jacobi vectors of x [n][dim]: x_i minus the centre of mass of those before; entry 0 the centre of mass
   of all. */
NRXI_FN void nrxi_sym_to_jacobi(const nrx_sym_nbody *b, const double *x, double *jac)
{
    const size_t n = b->bodies, dim = nrxi_sym_nbody_dim(b);
    size_t i, k;
    for (k = 0; k < dim; k++) {
        double m = b->mass[0], R = x[k];
        for (i = 1; i < n; i++) {
            const double xi = x[i * dim + k];
            jac[i * dim + k] = xi - R;
            m += b->mass[i];
            R += b->mass[i] / m * (xi - R);
        }
        jac[k] = R;
    }
}

NRXI_FN void nrxi_sym_from_jacobi(const nrx_sym_nbody *b, double total, const double *jac, double *x)
{
    const size_t n = b->bodies, dim = nrxi_sym_nbody_dim(b);
    size_t i, k;
    for (k = 0; k < dim; k++) {
        double m = total, R = jac[k];
        for (i = n; i-- > 1;) {
            R -= b->mass[i] / m * jac[i * dim + k];     /* centre of mass of the bodies before i */
            x[i * dim + k] = jac[i * dim + k] + R;
            m -= b->mass[i];
        }
        x[k] = R;
    }
}

NRXI_FN nrx_status nrxi_sym_wh_drift(nrxi_sym_run *run, double h)
{
    const nrx_sym_nbody *b = run->sys->nbody;
    const size_t n = b->bodies, dim = nrxi_sym_nbody_dim(b), d = n * dim;
    const double G = nrxi_sym_nbody_G(b);
    double eta = b->mass[0], *r = run->y, *v = r + d;
    size_t i, k;
    for (k = 0; k < dim; k++) r[k] += h * v[k];
    for (i = 1; i < n; i++) {
        nrx_status status;
        eta += b->mass[i];
        status = nrxi_sym_arc_move(G * eta, h, dim, r + i * dim, v + i * dim);
        if (status != NRX_OK) return status;
    }
    return NRX_OK;
}

NRXI_FN void nrxi_sym_wh_kick(nrxi_sym_run *run, double h)
{
    const nrx_sym_nbody *b = run->sys->nbody;
    const size_t n = b->bodies, dim = nrxi_sym_nbody_dim(b), d = n * dim;
    const double G = nrxi_sym_nbody_G(b);
    double eta = b->mass[0], *r = run->y, *v = r + d, *x = run->work, *acc = x + d, *jac = acc + d;
    size_t i, k;
    nrxi_sym_from_jacobi(b, run->im[0], r, x);
    nrxi_sym_nbody_accel(b, x, acc);                  /* minus the accelerations */
    nrxi_sym_to_jacobi(b, acc, jac);
    for (i = 1; i < n; i++) {
        const double *ri = r + i * dim, r2 = nrxi_sym_dot(dim, ri, ri);
        double s;
        eta += b->mass[i];
        s = G * eta / (r2 * sqrt(r2));
        for (k = 0; k < dim; k++) v[i * dim + k] += h * (s * ri[k] - jac[i * dim + k]);
    }
}

/* Z(a, b) = Kepler(a) Kick(-b) Kepler(-2a) Kick(b) Kepler(a); the corrector of Wisdom, Holman, Touma 1996
   (Rein, Tamayo 2015). */
NRXI_FN nrx_status nrxi_sym_wh_corrector(nrxi_sym_run *run, double h, int inverse)
{
    /* sum b_k a_k^(2j-1) = 1/96, -7/3840, 31/32256, ... for j = 1 .. K; order 2K + 1 in the step, first in the masses */
    static const double b3[1] = { 0.0249005960277998675 };
    static const double b5[2] = { 0.041500993379666445833, -0.0083001986759332891665 };
    static const double b7[3] = { 0.05396439909312749872, -0.01827092324670213148, 0.002492681142692210578 };
    static const double b11[5] = { 0.072593394748842738674, -0.038121613681288650509, 0.012309078592019946318,
        -0.0023487215292295354188, 0.00020361579647854651302 };
    static const double b17[8] = { 0.093056103771425958592, -0.065192863576377893658, 0.032422198864713580294,
        -0.012071760822342291062, 0.0033132577069380655656, -0.00063599983075817658984,
        0.000076436355227935738363, -0.0000043347415473373580190 };
    const int K = (run->corrector - 1) / 2;
    const double *table = K == 1 ? b3 : K == 2 ? b5 : K == 3 ? b7 : K == 5 ? b11 : b17, unit = sqrt(7.0 / 40.0) * h;
    int i, j;
    nrx_status status = NRX_OK;
    if (run->corrector == 0) return NRX_OK;
    for (i = 0; i < 2 * K && status == NRX_OK; i++) {
        const int k = i < K ? K - i : i - K + 1;
        const double sign = i < K ? -1.0 : 1.0, a = sign * k * unit,
            b = (inverse ? -sign : sign) * table[k - 1] * h;
        for (j = 0; j < 3 && status == NRX_OK; j++) {
            status = nrxi_sym_wh_drift(run, j == 1 ? -2.0 * a : a);
            if (j < 2) nrxi_sym_wh_kick(run, j == 0 ? -b : b);
        }
    }
    return status;
}

NRXI_FN nrx_status nrxi_sym_wh_begin(nrxi_sym_run *run, const double *z)
{
    const nrx_sym_nbody *b = run->sys->nbody;
    const size_t dim = nrxi_sym_nbody_dim(b), d = run->d;
    double *v = run->work;
    size_t i;
    run->im[0] = 0.0;
    for (i = 0; i < b->bodies; i++) run->im[0] += b->mass[i];
    for (i = 0; i < d; i++) v[i] = z[d + i] / b->mass[i / dim];
    nrxi_sym_to_jacobi(b, z, run->y);
    nrxi_sym_to_jacobi(b, v, run->y + d);
    run->done = 0;
    return nrxi_sym_wh_corrector(run, run->h, 0);
}

NRXI_FN nrx_status nrxi_sym_wh_steps(nrxi_sym_run *run, size_t steps)
{
    const nrx_sym_scheme *s = &run->scheme;
    size_t n;
    int i;
    for (n = 0; n < steps; n++, run->done++)
        for (i = 0; i < s->stages; i++) {
            const double a = i > 0 ? s->a[i] : run->done ? s->a[0] + s->a[s->stages] : s->a[0];
            nrx_status status = nrxi_sym_wh_drift(run, a * run->h);
            if (status != NRX_OK) return status;
            nrxi_sym_wh_kick(run, s->b[i] * run->h);
        }
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_sym_wh_end(nrxi_sym_run *run, double *z)
{
    const nrx_sym_nbody *b = run->sys->nbody;
    const size_t dim = nrxi_sym_nbody_dim(b), d = run->d;
    double *keep = run->work + 3 * d;
    size_t i;
    nrx_status status = NRX_OK;
    memcpy(keep, run->y, 2 * d * sizeof *keep);
    if (run->done) status = nrxi_sym_wh_drift(run, run->scheme.a[run->scheme.stages] * run->h);
    if (status == NRX_OK) status = nrxi_sym_wh_corrector(run, run->h, 1);
    if (status == NRX_OK) {
        nrxi_sym_from_jacobi(b, run->im[0], run->y, z);
        nrxi_sym_from_jacobi(b, run->im[0], run->y + d, z + d);
        for (i = 0; i < d; i++) z[d + i] *= b->mass[i / dim];
    }
    memcpy(run->y, keep, 2 * d * sizeof *keep);
    return status;
}

/* ---- constraints: SHAKE (Ryckaert, Ciccotti, Berendsen 1977) and RATTLE (Andersen 1983) ---- */

/* p -= M^T-weighted multipliers so that the constraint holds: lambda solves S lambda = rhs, S = G1 M^-1
   G0^T. */
NRXI_FN nrx_status nrxi_sym_rattle_solve(nrxi_sym_run *run, const double *G1, const double *G0, double *rhs,
    double *S)
{
    const size_t m = run->desc->constraints.m, d = run->d;
    size_t i, j, k;
    nrx_status status;
    for (i = 0; i < m; i++)
        for (j = 0; j < m; j++) {
            double sum = 0.0;
            for (k = 0; k < d; k++) sum += G1[i * d + k] * run->im[k] * G0[j * d + k];
            S[i * m + j] = sum;
        }
    status = nrxi_sym_lu(m, S, run->piv);
    if (status == NRX_OK) nrxi_sym_lu_solve(m, S, run->piv, rhs);
    return status;
}

NRXI_FN nrx_status nrxi_sym_rattle_step(nrxi_sym_run *run, double t, double h)
{
    const nrx_sym_constraints *c = &run->desc->constraints;
    const size_t m = c->m, d = run->d;
    const int limit = run->desc->max_iterations ? run->desc->max_iterations : 50;
    double *q = run->y, *p = q + d, *g = run->work, *G0 = g + d, *G1 = G0 + m * d, *rhs = G1 + m * d,
        *S = rhs + m;
    double previous = HUGE_VAL;
    size_t i, j;
    int it;
    nrx_status status = run->sys->dq(run->sys->user, t, q, p, g);
    if (status == NRX_OK) status = c->jac(c->user, q, G0);
    if (status != NRX_OK) return status;
    for (j = 0; j < d; j++) { p[j] -= 0.5 * h * g[j]; q[j] += h * run->im[j] * p[j]; }
    for (it = 0; it < limit; it++) {          /* q on the manifold by shifts along M^-1 G0^T */
        double size;
        status = c->g(c->user, q, rhs);
        if (status == NRX_OK) status = c->jac(c->user, q, G1);
        if (status != NRX_OK) return status;
        size = nrxi_sym_max_abs(m, rhs);
        if (!nrxi_finite_f64(&size)) return NRX_E_NUMERIC;
        if (size == 0.0 || (size < 1e-13 && size >= previous)) break;
        previous = size;
        run->iterations++;
        status = nrxi_sym_rattle_solve(run, G1, G0, rhs, S);
        if (status != NRX_OK) return status;
        for (i = 0; i < m; i++)
            for (j = 0; j < d; j++) {
                q[j] -= run->im[j] * G0[i * d + j] * rhs[i];
                p[j] -= G0[i * d + j] * rhs[i] / h;
            }
    }
    if (it == limit && !(previous < 1e-12)) return NRX_E_NUMERIC;
    status = run->sys->dq(run->sys->user, t + h, q, p, g);
    if (status == NRX_OK) status = c->jac(c->user, q, G1);
    if (status != NRX_OK) return status;
    for (j = 0; j < d; j++) p[j] -= 0.5 * h * g[j];
    if (run->method == NRX_SYM_SHAKE) return NRX_OK;
    for (i = 0; i < m; i++) {                 /* G1 M^-1 p = 0 */
        rhs[i] = 0.0;
        for (j = 0; j < d; j++) rhs[i] += G1[i * d + j] * run->im[j] * p[j];
    }
    status = nrxi_sym_rattle_solve(run, G1, G1, rhs, S);
    if (status != NRX_OK) return status;
    for (i = 0; i < m; i++) for (j = 0; j < d; j++) p[j] -= G1[i * d + j] * rhs[i];
    return NRX_OK;
}

NRXI_FN nrx_status nrxi_sym_rattle_end(nrxi_sym_run *run, double *z)
{
    nrx_status status = run->desc->constraints.g(run->desc->constraints.user, run->y, run->work);
    run->defect = nrxi_sym_max_abs(run->desc->constraints.m, run->work);
    nrxi_sym_state_out(run, run->y, z);
    return status;
}

/* ---- impulse multiple time steps (Tuckerman, Berne, Martyna 1992): half slow kick, Verlet on the fast
   part, half slow kick ---- */

NRXI_FN nrx_status nrxi_sym_respa_step(nrxi_sym_run *run, double t, double h)
{
    const nrx_sym_system *s = run->sys;
    const size_t d = run->d, inner = run->desc->substeps ? run->desc->substeps : 8;
    const double dt = h / (double)inner;
    double *q = run->y, *p = q + d, *g = run->work, *f = g + d;
    size_t i, j;
    int side;
    nrx_status status = NRX_OK;
    for (side = 0; side < 2; side++) {
        status = s->dq(s->user, side ? t + h : t, q, p, g);
        if (status == NRX_OK) status = run->desc->fast(s->user, side ? t + h : t, q, p, f);
        if (status != NRX_OK) return status;
        for (j = 0; j < d; j++) p[j] -= 0.5 * h * (g[j] - f[j]);
        for (i = 0; i < inner && side == 0; i++) {
            for (j = 0; j < d; j++) { p[j] -= 0.5 * dt * f[j]; q[j] += dt * run->im[j] * p[j]; }
            status = run->desc->fast(s->user, t + (double)(i + 1) * dt, q, p, f);
            if (status != NRX_OK) return status;
            for (j = 0; j < d; j++) p[j] -= 0.5 * dt * f[j];
        }
    }
    return status;
}

/* ---- Langevin dynamics: half kick, half drift, Ornstein-Uhlenbeck, half drift, half kick ---- */

NRXI_FN nrx_status nrxi_sym_baoab_step(nrxi_sym_run *run, double t, double h)
{
    const nrx_sym_system *s = run->sys;
    const size_t d = run->d;
    const double c = exp(-run->desc->friction * h), e = sqrt(-run->desc->temperature *
        expm1(-2.0 * run->desc->friction * h));
    double *q = run->y, *p = q + d, *g = run->work;
    nrx_rng rng;
    size_t j;
    nrx_status status = s->dq(s->user, t, q, p, g);
    if (status != NRX_OK) return status;
    nrx_rng_seed(&rng, run->desc->seed, 0);
    /* two normals use one block: a step can be repeated */
    nrx_rng_seek(&rng, (uint64_t)run->done * ((d + 1) / 2));
    for (j = 0; j < d; j++) {
        p[j] -= 0.5 * h * g[j];
        q[j] += 0.5 * h * run->im[j] * p[j];
        p[j] = c * p[j] + e * nrx_rng_normal(&rng) / sqrt(run->im[j]);
        q[j] += 0.5 * h * run->im[j] * p[j];
    }
    status = s->dq(s->user, t + h, q, p, g);
    for (j = 0; j < d && status == NRX_OK; j++) p[j] -= 0.5 * h * g[j];
    return status;
}

/* ---- not symplectic, for comparison ---- */

NRXI_FN nrx_status nrxi_sym_rk_step(nrxi_sym_run *run, double t, double h)
{
    static const double at[4] = { 0.0, 0.5, 0.5, 1.0 }, weight[4] = { 1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0,
        1.0 / 6.0 };
    const size_t n = 2 * run->d;
    const int stages = run->method == NRX_SYM_RK4 ? 4 : 1;
    double *x = run->work, *f = x + n, *sum = f + n;
    size_t j;
    int i;
    memset(sum, 0, n * sizeof *sum);
    memset(f, 0, n * sizeof *f);
    for (i = 0; i < stages; i++) {
        nrx_status status;
        for (j = 0; j < n; j++) x[j] = run->y[j] + at[i] * h * f[j];
        status = nrxi_sym_field(run->sys, t + at[i] * h, x, f);
        if (status != NRX_OK) return status;
        for (j = 0; j < n; j++) sum[j] += (stages == 1 ? 1.0 : weight[i]) * f[j];
    }
    for (j = 0; j < n; j++) {
        if (run->roundoff == NRX_SYM_COMPENSATED) nrxi_sym_add2(&run->y[j], &run->y[n + j], h * sum[j]);
        else run->y[j] += h * sum[j];
    }
    return NRX_OK;
}

/* Steps of one-step families, composed with the weights of run->scheme. */
NRXI_FN nrx_status nrxi_sym_single_steps(nrxi_sym_run *run, size_t steps)
{
    size_t n;
    int i;
    for (n = 0; n < steps; n++, run->done++) {
        double at = 0.0;
        for (i = 0; i < run->scheme.weights; i++) {
            const double t = run->t0 + ((double)run->done + at) * run->h, h = run->scheme.w[i] * run->h;
            nrx_status status;
            switch (run->method) {
            case NRX_SYM_RATTLE: case NRX_SYM_SHAKE: status = nrxi_sym_rattle_step(run, t, h); break;
            case NRX_SYM_RESPA: status = nrxi_sym_respa_step(run, t, h); break;
            case NRX_SYM_BAOAB: status = nrxi_sym_baoab_step(run, t, h); break;
            default: status = nrxi_sym_rk_step(run, t, h); break;
            }
            if (status != NRX_OK) return status;
            at += run->scheme.w[i];
        }
    }
    return NRX_OK;
}

/* ---- planning a run ---- */

NRXI_FN int nrxi_sym_is_splitting(int method)
{
    return method >= NRX_SYM_VERLET && method <= NRX_SYM_SOFRONIOU_SPALETTA10;
}
NRXI_FN int nrxi_sym_is_gauss(int method) { return method >= NRX_SYM_MIDPOINT && method <= NRX_SYM_GAUSS8; }
NRXI_FN int nrxi_sym_is_irk(int method) { return method >= NRX_SYM_MIDPOINT && method <= NRX_SYM_LOBATTO6; }
NRXI_FN int nrxi_sym_is_wh(int method)
{
    return method >= NRX_SYM_WISDOM_HOLMAN && method <= NRX_SYM_SABA1064;
}

/* Can `method` do this system at all? NULL, or the reason why not. */
NRXI_FN const char *nrxi_sym_objection(const nrx_sym_system *s, int method, const nrx_sym_desc *desc)
{
    if (nrxi_sym_is_splitting(method)) {
        nrx_sym_scheme scheme;
        (void)nrxi_sym_scheme_find(method, &scheme);
        if (s->structure == NRX_SYM_GENERAL)
            return "splitting needs H = T(p) + V(q); take gauss, tao or semi_explicit";
        if (s->structure == NRX_SYM_SEPARABLE &&
            scheme.order_general < scheme.order) return "an RKN method needs a quadratic T";
        return NULL;
    }
    if (nrxi_sym_is_wh(method)) return s->nbody ? NULL : "the Wisdom-Holman splitting is for N-body systems";
    switch (method) {
    case NRX_SYM_RATTLE: case NRX_SYM_SHAKE:
        if (s->structure != NRX_SYM_NEWTON) return "constraints need H = sum p^2/(2m) + V(q)";
        return desc->constraints.m && desc->constraints.g && desc->constraints.jac ? NULL :
            "desc.constraints is not filled in";
    case NRX_SYM_RESPA:
        if (s->structure != NRX_SYM_NEWTON) return "needs H = sum p^2/(2m) + V(q)";
        return desc->fast ? NULL : "desc.fast is not set";
    case NRX_SYM_BAOAB: return s->structure == NRX_SYM_NEWTON ? NULL : "needs H = sum p^2/(2m) + V(q)";
    default: return NULL;
    }
}

NRX_DEF int nrx_sym_method_order(const nrx_sym_system *system, int method, int compose)
{
    const nrx_sym_desc none = NRX_ZERO;
    nrx_sym_scheme s;
    int order = 0;
    if (!system || !nrx_sym_method_name(method)) return 0;
    if (method != NRX_SYM_RATTLE && method != NRX_SYM_SHAKE && method != NRX_SYM_RESPA &&
        nrxi_sym_objection(system, method, &none))
        return 0;
    if (nrxi_sym_scheme_find(method, &s) == NRX_OK) return system->structure >= NRX_SYM_QUADRATIC ? s.order :
        s.order_general;
    if (nrxi_sym_is_gauss(method)) order = 2 * (method - NRX_SYM_MIDPOINT + 1);
    else if (nrxi_sym_is_irk(method)) order = 2 * (method - NRX_SYM_LOBATTO2 + 1);
    else if (method == NRX_SYM_RK4) order = 4;
    else if (method == NRX_SYM_EXPLICIT_EULER) order = 1;
    else order = 2;
    if (compose && order == 2 && nrxi_sym_scheme_find(compose, &s) == NRX_OK && s.weights) order = s.order;
    return order;
}

NRXI_FN nrx_status nrxi_sym_plan(nrxi_sym_run *run, const nrx_sym_system *sys, int method,
    const nrx_sym_desc *desc, size_t *total, const char *who)
{
    const nrx_env *env = &desc->env;
    const char *why;
    size_t d, n, m = desc->constraints.m, stages;
    int composable;
    memset(run, 0, sizeof *run);
    if (!sys || !sys->dq || (!sys->dp && sys->structure != NRX_SYM_NEWTON))
        return nrxi_fail(env, NRX_E_ARG, "%s: system without gradients", who);
    if (sys->d == 0 || sys->d > ((size_t)1 << 24) || desc->tangents > ((size_t)1 << 16) || m > sys->d)
        return nrxi_fail(env, NRX_E_ARG, "%s: %zu degrees of freedom, %zu tangents, %zu constraints", who,
            sys->d, desc->tangents, m);
    if (!nrx_sym_method_name(method)) return nrxi_fail(env, NRX_E_ARG, "%s: there is no method %d", who,
        method);
    why = nrxi_sym_objection(sys, method, desc);
    if (why) return nrxi_fail(env, NRX_E_UNSUPPORTED, "%s: %s refused: %s", who, nrx_sym_method_name(method),
        why);
    if (desc->roundoff < 0 || desc->roundoff > NRX_SYM_LATTICE) return nrxi_fail(env, NRX_E_ARG,
        "%s: roundoff %d", who, desc->roundoff);
    if ((desc->roundoff == NRX_SYM_LATTICE && !nrxi_sym_is_splitting(method)) ||
        (desc->roundoff == NRX_SYM_COMPENSATED && !nrxi_sym_is_splitting(method) &&
            !nrxi_sym_is_irk(method) &&
            method < NRX_SYM_RK4))
        return nrxi_fail(env, NRX_E_UNSUPPORTED, "%s: %s has no such round-off mode", who,
            nrx_sym_method_name(method));
    if (desc->tangents && !nrxi_sym_is_splitting(method) && !nrxi_sym_is_irk(method))
        return nrxi_fail(env, NRX_E_UNSUPPORTED, "%s: %s carries no tangents", who,
            nrx_sym_method_name(method));
    if (desc->tangents && !desc->tangent) return nrxi_fail(env, NRX_E_ARG,
        "%s: tangents without desc.tangent", who);
    if (desc->corrector && (method != NRX_SYM_WISDOM_HOLMAN || desc->compose || (desc->corrector != 3 && desc->corrector != 5 &&
        desc->corrector != 7 && desc->corrector != 11 && desc->corrector != 17)))
        return nrxi_fail(env, NRX_E_UNSUPPORTED,
            "%s: corrector %d, expected 0, 3, 5, 7, 11 or 17 with plain wisdom_holman", who, desc->corrector);
    if (desc->friction < 0.0 || desc->temperature < 0.0)
        return nrxi_fail(env, NRX_E_ARG, "%s: friction %g, temperature %g", who, desc->friction,
            desc->temperature);

    run->sys = sys; run->desc = desc; run->method = method; run->roundoff = desc->roundoff;
    run->t0 = desc->t0; run->d = d = sys->d; run->corrector = desc->corrector;
    n = 2 * d;
    composable = method == NRX_SYM_MIDPOINT || method == NRX_SYM_TAO || method == NRX_SYM_SEMI_EXPLICIT ||
                 method == NRX_SYM_WISDOM_HOLMAN || method == NRX_SYM_RATTLE || method == NRX_SYM_LOBATTO2;
    if (desc->compose) {
        if (!composable || nrxi_sym_scheme_find(desc->compose, &run->scheme) != NRX_OK ||
            run->scheme.weights == 0)
            return nrxi_fail(env, NRX_E_UNSUPPORTED, "%s: %s cannot be composed with method %d", who,
                nrx_sym_method_name(method), desc->compose);
    } else if (nrxi_sym_scheme_find(method, &run->scheme) != NRX_OK) {
        (void)nrxi_sym_scheme_find(NRX_SYM_VERLET, &run->scheme);   /* the weight 1 */
    }
    run->masses = sys->structure == NRX_SYM_NEWTON && (sys->inverse_mass || sys->nbody);
    run->check = n;
    run->ny = n;
    run->begin = nrxi_sym_state_begin; run->end = nrxi_sym_state_end; run->steps = nrxi_sym_single_steps;
    if (nrxi_sym_is_splitting(method)) {
        const int comp = run->roundoff == NRX_SYM_COMPENSATED;
        run->ny = (run->roundoff ? 2 : 1) * n + n * desc->tangents;
        run->nwork = 8 * d + 8 + run->ny;
        run->end = nrxi_sym_split_end;
        if (sys->structure != NRX_SYM_NEWTON || desc->tangents ||
            run->roundoff == NRX_SYM_LATTICE) run->steps = nrxi_sym_split_general;
        else if (run->masses) run->steps = comp ? nrxi_sym_split_comp_m : nrxi_sym_split_plain_m;
        else if (sys->hook) run->steps = nrxi_sym_split_hook;
        else run->steps = comp ? nrxi_sym_split_comp : nrxi_sym_split_plain;
    } else if (nrxi_sym_is_irk(method)) {
        run->method = method;
        nrxi_sym_tableau(run);
        stages = (size_t)run->stages;
        if (desc->solver == NRX_SYM_SOLVE_NEWTON || (desc->solver == NRX_SYM_SOLVE_AUTO &&
            stages * n <= 512)) run->newton = stages * n;
        if (run->newton > 8192) return nrxi_fail(env, NRX_E_RANGE, "%s: a Newton matrix of %zu rows", who,
            run->newton);
        run->npiv = run->newton;
        run->ny = (run->roundoff ? 2 : 1) * n + n * desc->tangents + stages * n;
        run->nwork = 2 * n + 2 * stages * n + 8 * d + run->newton * run->newton;
        run->steps = nrxi_sym_irk_steps;
    } else if (method == NRX_SYM_TAO || method == NRX_SYM_SEMI_EXPLICIT) {
        run->ny = run->check = 4 * d;
        run->nwork = 6 * d;
        run->begin = nrxi_sym_tao_begin; run->end = nrxi_sym_tao_end;
        run->steps = method == NRX_SYM_TAO ? nrxi_sym_tao_steps : nrxi_sym_semi_steps;
    } else if (nrxi_sym_is_wh(method)) {
        run->nwork = 5 * d;
        run->begin = nrxi_sym_wh_begin; run->steps = nrxi_sym_wh_steps; run->end = nrxi_sym_wh_end;
    } else {
        if (m > 4096) return nrxi_fail(env, NRX_E_RANGE, "%s: %zu constraints", who, m);
        if (run->roundoff) run->ny = 2 * n;
        run->nwork = 6 * d;
        if (method == NRX_SYM_RATTLE || method == NRX_SYM_SHAKE) {
            run->nwork = d + 2 * m * d + m + m * m;
            run->npiv = m;
            run->end = nrxi_sym_rattle_end;
        }
    }
    *total = 2 * run->ny + 2 * n + d + run->npiv + run->nwork;
    return NRX_OK;
}

/* Lays the run out in `total` doubles of memory. */
NRXI_FN void nrxi_sym_place(nrxi_sym_run *run, double *memory)
{
    const nrx_sym_system *s = run->sys;
    size_t j;
    memset(memory, 0, (2 * run->ny + 2 * run->d) * sizeof *memory);
    run->y = memory;
    run->saved = run->y + run->ny;
    run->look = run->saved + run->ny;
    run->im = run->look + 2 * run->d;
    run->piv = (size_t *)(void *)(run->im + run->d);   /* a size_t fits where a double does */
    run->work = run->im + run->d + run->npiv;
    for (j = 0; j < run->d; j++)
        run->im[j] = s->nbody ? 1.0 / s->nbody->mass[j / nrxi_sym_nbody_dim(s->nbody)] : s->inverse_mass ?
            s->inverse_mass[j] : 1.0;
}

/* One step of h * fraction from z at time t into out. */
NRXI_FN nrx_status nrxi_sym_fraction(nrxi_sym_run *run, double t, double h, const double *z, double *out)
{
    nrx_status status;
    if (h == 0.0) { memcpy(out, z, 2 * run->d * sizeof *z); return NRX_OK; }
    run->t0 = t;
    run->h = h;
    status = run->begin(run, z);
    if (status == NRX_OK) status = run->steps(run, 1);
    if (status == NRX_OK) status = run->end(run, out);
    if (status == NRX_OK && !nrxi_all_finite(out, 2 * run->d, NRX_F64)) status = NRX_E_NUMERIC;
    return status;
}

/* ---- the driver ---- */

typedef struct nrxi_sym_job {
    nrxi_sym_run run, part;      /* part: fractional steps from a copy */
    nrx_sym_desc flat;           /* its descriptor: nothing carried along */
    const nrx_sym_desc *desc;
    nrx_sym_info *info;
    double *before, *after, *probe;
    double g_before;
    int stop;
} nrxi_sym_job;

NRXI_FN double nrxi_sym_job_time(const nrxi_sym_job *job, size_t step)
{
    return job->desc->t0 + (double)step * job->run.h;
}

NRXI_FN void nrxi_sym_note_energy(nrxi_sym_job *job, double t, const double *z)
{
    double e;
    if (!job->run.sys->energy || nrx_sym_energy(job->run.sys, t, z, &e) != NRX_OK) return;
    job->info->energy1 = e;
    if (fabs(e - job->info->energy0) > job->info->max_energy_error) job->info->max_energy_error =
        fabs(e - job->info->energy0);
}

/* Zero of the event function between before (0) and after (h), by the Illinois form of false position on
   fractional steps. */
NRXI_FN nrx_status nrxi_sym_locate(nrxi_sym_job *job, double t, double h, double g0, double g1, double *at,
    double *z)
{
    double lo = 0.0, hi = h, glo = g0, ghi = g1;
    int i, side = 0;
    *at = h;
    memcpy(z, job->after, 2 * job->run.d * sizeof *z);
    if (g1 == 0.0) return NRX_OK;
    for (i = 0; i < 100; i++) {
        double x = i % 8 == 7 ? 0.5 * (lo + hi) : (lo * ghi - hi * glo) / (ghi - glo), g;
        nrx_status status;
        if (!((x > lo && x < hi) || (x < lo && x > hi))) x = 0.5 * (lo + hi);
        status = nrxi_sym_fraction(&job->part, t, x, job->before, z);
        if (status != NRX_OK) return status;
        *at = x;
        g = job->desc->event(job->desc->event_user, t + x, z);
        if (!nrxi_finite_f64(&g)) return NRX_E_NUMERIC;
        if (g == 0.0 || fabs(hi - lo) <= 4e-16 * (fabs(h) + fabs(x))) return NRX_OK;
        if ((g > 0.0) == (ghi > 0.0)) { hi = x; ghi = g; if (side == 1) glo *= 0.5; side = 1; }
        else { lo = x; glo = g; if (side == -1) ghi *= 0.5; side = -1; }
    }
    return NRX_OK;
}

/* Events and dense rows of the single step that ended in job->after. */
NRXI_FN nrx_status nrxi_sym_inside(nrxi_sym_job *job, size_t step)
{
    const nrx_sym_desc *desc = job->desc;
    const double t = nrxi_sym_job_time(job, step), h = job->run.h, t1 = nrxi_sym_job_time(job, step + 1);
    nrx_status status = NRX_OK;
    while (desc->times && job->info->dense_rows < desc->times_count) {
        const double want = desc->times[job->info->dense_rows];
        double *row = desc->dense + job->info->dense_rows * 2 * job->run.d;
        if (h > 0.0 ? want > t1 : want < t1) break;
        if (want == t1) memcpy(row, job->after, 2 * job->run.d * sizeof *row);
        else status = nrxi_sym_fraction(&job->part, t, want - t, job->before, row);
        if (status != NRX_OK) return status;
        job->info->dense_rows++;
    }
    if (desc->event) {
        const double g0 = job->g_before, g1 = desc->event(desc->event_user, t1, job->after);
        const int up = g0 < 0.0 && g1 >= 0.0, down = g0 > 0.0 && g1 <= 0.0;
        if (!nrxi_finite_f64(&g1)) return NRX_E_NUMERIC;
        job->g_before = g1;
        if ((up && desc->event_direction >= 0) || (down && desc->event_direction <= 0)) {
            double at;
            status = nrxi_sym_locate(job, t, h, g0, g1, &at, job->probe);
            if (status != NRX_OK) return status;
            if (desc->on_event && desc->on_event(desc->event_user, job->info->events, t + at,
                job->probe)) job->stop = 1;
            job->info->events++;
        }
    }
    return NRX_OK;
}

/* How many steps may run before somebody wants to look; *fine = the next single step has something inside
   it. */
NRXI_FN size_t nrxi_sym_stretch(const nrxi_sym_job *job, size_t left, int *fine)
{
    const nrx_sym_desc *desc = job->desc;
    size_t n = left < 512 ? left : 512;
    if (desc->every && n > desc->every - job->run.done % desc->every) n = desc->every -
        job->run.done % desc->every;
    *fine = desc->event != NULL;
    if (desc->times && job->info->dense_rows < desc->times_count) {
        const double ahead = (desc->times[job->info->dense_rows] - nrxi_sym_job_time(job, job->run.done)) /
            job->run.h - 1.0;
        if (ahead < 1.0) *fine = 1;
        else if (ahead < (double)n) n = (size_t)ahead;
    }
    return *fine ? 1 : n;
}

NRXI_FN nrx_status nrxi_sym_drive(nrxi_sym_job *job, double *z, size_t steps)
{
    nrxi_sym_run *run = &job->run;
    const nrx_sym_desc *desc = job->desc;
    nrx_sym_info *info = job->info;
    const size_t n2 = 2 * run->d;
    int careful = 0, fine = 0;
    nrx_status status = run->begin(run, z);
    if (status == NRX_OK && desc->event) job->g_before = desc->event(desc->event_user, desc->t0, z);
    while (status == NRX_OK && run->done < steps && !job->stop) {
        const size_t start = run->done;
        size_t n = nrxi_sym_stretch(job, steps - start, &fine);
        if (careful) n = 1;
        memcpy(run->saved, run->y, run->ny * sizeof *run->y);
        if (fine) status = run->end(run, job->before);
        if (status == NRX_OK) status = run->steps(run, n);
        if (status == NRX_OK && !nrxi_all_finite(run->y, run->check, NRX_F64)) status = NRX_E_NUMERIC;
        if (status == NRX_OK && fine) {
            status = run->end(run, job->after);
            if (status == NRX_OK) status = nrxi_sym_inside(job, start);
        }
        if (status != NRX_OK) {
            memcpy(run->y, run->saved, run->ny * sizeof *run->y);
            run->done = start;
            if (n == 1) break;
            careful = 1;                /* repeat this stretch step by step to find the last good state */
            status = NRX_OK;
            continue;
        }
        if (desc->every && run->done % desc->every == 0) {
            const double t = nrxi_sym_job_time(job, run->done);
            status = run->end(run, run->look);
            if (status != NRX_OK) break;
            nrxi_sym_note_energy(job, t, run->look);
            if (desc->out && info->out_rows < desc->out_rows)
                memcpy(desc->out + n2 * info->out_rows++, run->look, n2 * sizeof *z);
            if (desc->observe && desc->observe(desc->observe_user, run->done, t, run->look)) job->stop = 1;
        }
        if (nrxi_progress(&desc->env, run->done, steps, nrxi_sym_job_time(job, run->done))) { status =
            NRX_E_CANCELLED; break; }
    }
    {
        nrx_status last = run->end(run, run->look);
        if (last == NRX_OK && !nrxi_all_finite(run->look, n2, NRX_F64)) last = NRX_E_NUMERIC;
        if (last == NRX_OK && run->done) memcpy(z, run->look, n2 * sizeof *z);   /* without a step z stays as it is */
        if (last != NRX_OK) { run->done = 0; if (status == NRX_OK) status = last; }    /* z is still the initial state */
    }
    info->steps = run->done;
    info->t = nrxi_sym_job_time(job, run->done);
    info->iterations = run->iterations;
    info->stopped = job->stop;
    info->defect = run->defect;
    nrxi_sym_note_energy(job, info->t, z);
    return status;
}

NRXI_FN nrx_status nrxi_sym_size(nrxi_sym_job *job, const nrx_sym_system *system, int method,
    const nrx_sym_desc *desc, size_t *total, const char *who)
{
    size_t part = 0;
    nrx_status status = nrxi_sym_plan(&job->run, system, method, desc, total, who);
    if (status != NRX_OK || (!desc->event && !desc->times)) return status;
    job->flat = *desc;
    job->flat.tangents = 0;
    job->flat.carry = NULL;
    job->flat.roundoff = NRX_SYM_PLAIN;
    status = nrxi_sym_plan(&job->part, system, method, &job->flat, &part, who);
    *total += part + 6 * system->d;
    return status;
}

NRX_DEF size_t nrx_sym_workspace_size(const nrx_sym_system *system, int method, const nrx_sym_desc *desc)
{
    const nrx_sym_desc none = NRX_ZERO;
    nrxi_sym_job job;
    size_t total = 0;
    memset(&job, 0, sizeof job);
    return nrxi_sym_size(&job, system, method, desc ? desc : &none, &total,
        "nrx_sym_workspace_size") == NRX_OK ? total : 0;
}

NRX_DEF nrx_status nrx_sym_integrate(const nrx_sym_system *system, int method, double *z, double h,
    size_t steps, const nrx_sym_desc *desc, nrx_sym_info *info)
{
    const nrx_sym_desc none = NRX_ZERO;
    nrx_sym_info unseen;
    nrxi_sym_job job;
    double *memory;
    size_t total = 0, part_total = 0;
    nrx_status status;
    memset(&job, 0, sizeof job);
    if (!desc) desc = &none;
    if (!info) info = &unseen;
    memset(info, 0, sizeof *info);
    info->t = desc->t0;
    if (!z) return nrxi_fail(&desc->env, NRX_E_ARG, "nrx_sym_integrate: z is NULL");
    if (!nrxi_finite_f64(&h) || h == 0.0) return nrxi_fail(&desc->env, NRX_E_ARG,
        "nrx_sym_integrate: step %g, expected finite and not 0", h);
    if (!nrxi_finite_f64(&desc->t0)) return nrxi_fail(&desc->env, NRX_E_ARG,
        "nrx_sym_integrate: t0 is not finite");
    if (desc->times && !desc->dense) return nrxi_fail(&desc->env, NRX_E_ARG,
        "nrx_sym_integrate: times without dense");
    job.desc = desc;
    job.info = info;
    status = nrxi_sym_size(&job, system, method, desc, &total, "nrx_sym_integrate");
    if (status != NRX_OK) return status;
    if (!nrxi_all_finite(z, 2 * system->d, NRX_F64)) return nrxi_fail(&desc->env, NRX_E_ARG,
        "nrx_sym_integrate: the state is not finite");
    if (desc->work && desc->work_size < total)
        return nrxi_fail(&desc->env, NRX_E_SHAPE, "nrx_sym_integrate: workspace of %zu doubles, %zu needed",
            desc->work_size, total);
    memory = desc->work ? desc->work : (double *)nrxi_alloc(&desc->env, total, sizeof *memory);
    if (!memory) return nrxi_fail(&desc->env, NRX_E_NOMEM, "nrx_sym_integrate: no memory for %zu doubles",
        total);
    nrxi_sym_place(&job.run, memory);
    job.run.h = h;
    if (desc->event || desc->times) {
        double *rest = memory + total - 6 * system->d;
        (void)nrxi_sym_plan(&job.part, system, method, &job.flat, &part_total, "nrx_sym_integrate");
        nrxi_sym_place(&job.part, rest - part_total);
        job.before = rest; job.after = rest + 2 * system->d; job.probe = rest + 4 * system->d;
    }
    nrxi_sym_note_energy(&job, desc->t0, z);
    info->energy0 = info->energy1;
    info->max_energy_error = 0.0;
    status = nrxi_sym_drive(&job, z, steps);
    if (!desc->work) nrxi_free(&desc->env, memory);
    if (status == NRX_E_CANCELLED) return nrxi_fail(&desc->env, status,
        "nrx_sym_integrate: cancelled at step %zu", info->steps);
    if (status != NRX_OK)
        return nrxi_fail(&desc->env, status, "nrx_sym_integrate: %s stopped at step %zu, t = %g: %s",
            nrx_sym_method_name(method),
                         info->steps, info->t, nrx_status_string(status));
    return NRX_OK;
}

/* ---- batches ---- */

typedef struct nrxi_sym_batch {
    const nrx_sym_system *sys;
    const nrx_sym_desc *desc;
    nrx_sym_scheme scheme;
    int method;
    double *z, h;
    size_t lanes, steps;
    unsigned char *bad;        /* [chunks] */
} nrxi_sym_batch;
enum { NRXI_SYM_BATCH_BLOCK = 64 };

NRXI_FN void nrxi_sym_batch_job(void *arg, size_t chunk)
{
    nrxi_sym_batch *b = (nrxi_sym_batch *)arg;
    const size_t n = 2 * b->sys->d, first = chunk * NRXI_SYM_BATCH_BLOCK;
    const size_t last = first + NRXI_SYM_BATCH_BLOCK < b->lanes ? first + NRXI_SYM_BATCH_BLOCK : b->lanes;
    size_t l, j;
    if (b->sys->hook) {
        for (l = first; l < last; l += NRXI_SYM_LANES)
            (void)b->sys->hook(b->sys->user, &b->scheme, b->desc->t0, b->h, l, b->steps, b->lanes, b->z,
                NULL);
    } else {
        nrx_sym_desc one = NRX_ZERO;
        double *z = (double *)nrxi_alloc(&b->desc->env, n, sizeof *z);
        one.t0 = b->desc->t0;
        one.roundoff = b->desc->roundoff;
        one.env = b->desc->env;
        one.env.progress = NULL;
        for (l = first; l < last; l++) {
            if (!z) { b->bad[chunk] = 2; return; }
            for (j = 0; j < n; j++) z[j] = b->z[j * b->lanes + l];
            if (nrx_sym_integrate(b->sys, b->method, z, b->h, b->steps, &one, NULL) != NRX_OK) b->bad[chunk] =
                1;
            for (j = 0; j < n; j++) b->z[j * b->lanes + l] = z[j];
        }
        nrxi_free(&b->desc->env, z);
    }
    for (l = first; l < last; l++)
        for (j = 0; j < n; j++)
            if (!nrxi_finite_f64(&b->z[j * b->lanes + l])) b->bad[chunk] = 1;
}

NRX_DEF nrx_status nrx_sym_integrate_batch(const nrx_sym_system *system, int method, double *z, size_t lanes,
    double h, size_t steps, const nrx_sym_desc *desc)
{
    const nrx_sym_desc none = NRX_ZERO;
    nrxi_sym_batch b;
    nrxi_sym_run run;
    size_t chunks = (lanes + NRXI_SYM_BATCH_BLOCK - 1) / NRXI_SYM_BATCH_BLOCK, c, total;
    nrx_status status;
    if (!desc) desc = &none;
    if (!z || !nrxi_finite_f64(&h) || h == 0.0) return nrxi_fail(&desc->env, NRX_E_ARG,
        "nrx_sym_integrate_batch: z is NULL or step %g", h);
    if (lanes == 0) return NRX_OK;
    if (desc->tangents || desc->event || desc->times || desc->every)
        return nrxi_fail(&desc->env, NRX_E_UNSUPPORTED,
            "nrx_sym_integrate_batch: no tangents, events or outputs in batches");
    status = nrxi_sym_plan(&run, system, method, desc, &total, "nrx_sym_integrate_batch");
    if (status != NRX_OK) return status;
    if (!nrxi_sym_is_splitting(method)) return nrxi_fail(&desc->env, NRX_E_UNSUPPORTED,
        "nrx_sym_integrate_batch: splitting methods only");
    if (!nrxi_mul_ok(2 * system->d, lanes, &total)) return nrxi_fail(&desc->env, NRX_E_RANGE,
        "nrx_sym_integrate_batch: size overflow");
    if (!nrxi_all_finite(z, total, NRX_F64)) return nrxi_fail(&desc->env, NRX_E_ARG,
        "nrx_sym_integrate_batch: a state is not finite");
    memset(&b, 0, sizeof b);
    b.sys = system; b.desc = desc; b.scheme = run.scheme; b.method = method; b.z = z; b.h = h;
        b.lanes = lanes; b.steps = steps;
    b.bad = (unsigned char *)nrxi_calloc(&desc->env, chunks, 1);
    if (!b.bad) return nrxi_fail(&desc->env, NRX_E_NOMEM, "nrx_sym_integrate_batch: no memory");
    {
        nrx_sym_system plain = *system;    /* the hook has neither masses nor compensation */
        if (run.masses || run.roundoff || system->structure != NRX_SYM_NEWTON) plain.hook = NULL;
        b.sys = &plain;
        nrxi_parallel(&desc->env, chunks, nrxi_sym_batch_job, &b);
    }
    for (c = 0; c < chunks; c++) {
        if (b.bad[c] == 2) status = NRX_E_NOMEM;
        else if (b.bad[c] && status == NRX_OK) status = NRX_E_NUMERIC;
    }
    nrxi_free(&desc->env, b.bad);
    return status == NRX_OK ? status : nrxi_fail(&desc->env, status, "nrx_sym_integrate_batch: %s",
        nrx_status_string(status));
}

/* ---- gradients by reversal ---- */

NRX_DEF nrx_status nrx_sym_gradient(const nrx_sym_system *system, int method, double *z, double h,
    size_t steps, double *lambda,
    nrx_status (*dparam)(void *user, double t, const double *z, const double *u, double *dtheta),
    double *dtheta, const nrx_sym_desc *desc)
{
    nrx_sym_desc one = NRX_ZERO;
    nrxi_sym_run run;
    const nrx_sym_scheme *s = &run.scheme;
    double *memory, *w, *u;
    size_t d, total, n, j;
    int i, kick;
    nrx_status status;
    if (desc) { one.t0 = desc->t0; one.roundoff = desc->roundoff; one.lattice = desc->lattice;
        one.env = desc->env; }
    if (!z || !lambda || !nrxi_finite_f64(&h) || h == 0.0) return nrxi_fail(&one.env, NRX_E_ARG,
        "nrx_sym_gradient: NULL argument or step %g", h);
    one.tangents = 1;
    one.tangent = lambda;
    status = nrxi_sym_plan(&run, system, method, &one, &total, "nrx_sym_gradient");
    if (status != NRX_OK) return status;
    if (!nrxi_sym_is_splitting(method)) return nrxi_fail(&one.env, NRX_E_UNSUPPORTED,
        "nrx_sym_gradient: splitting methods only");
    d = system->d;
    if (!nrxi_all_finite(z, 2 * d, NRX_F64) || !nrxi_all_finite(lambda, 2 * d, NRX_F64))
        return nrxi_fail(&one.env, NRX_E_ARG, "nrx_sym_gradient: the state or its gradient is not finite");
    memory = (double *)nrxi_alloc(&one.env, total + 2 * d, sizeof *memory);
    if (!memory) return nrxi_fail(&one.env, NRX_E_NOMEM, "nrx_sym_gradient: no memory");
    nrxi_sym_place(&run, memory);
    u = memory + total;
    status = run.begin(&run, z);
    w = nrxi_sym_tangents(&run);
    /* J^-1 lambda: carried back as a tangent */
    for (j = 0; j < d; j++) { w[j] = -lambda[d + j]; w[d + j] = lambda[j]; }
    for (n = steps; n-- > 0 && status == NRX_OK;) {
        /* the step drift a_0, kick b_0, .. drift a_s undone from its end; neighbouring drifts merge as
           they did forward */
        for (i = s->stages; i >= 0 && status == NRX_OK; i--) {
            const double t = one.t0 + ((double)n + (i < s->stages ? s->c[i] : 1.0)) * h;
            double a = s->a[i];
            if (i == s->stages && n + 1 < steps) a = 0.0; /* done with the drift a_0 of the next step */
            if (i == 0 && n > 0) a += s->a[s->stages];
            if (i < s->stages) {
                kick = 1;
                if (dparam && dtheta) {
                    /* p' = p - b h H_q: dL += -b h lambda_p . d(H_q)/dtheta, lambda_p = -w_q */
                    for (j = 0; j < d; j++) { u[j] = s->b[i] * h * w[j]; u[d + j] = 0.0; }
                    status = dparam(system->user, t, run.y, u, dtheta);
                }
                if (status == NRX_OK) status = nrxi_sym_move(&run, kick, t, -s->b[i] * h, run.y, w, run.work);
            }
            if (a != 0.0 && status == NRX_OK) {
                if (dparam && dtheta) {
                    for (j = 0; j < d; j++) { u[j] = 0.0; u[d + j] = a * h * w[d + j]; }
                    status = dparam(system->user, t, run.y, u, dtheta);
                }
                if (status == NRX_OK) status = nrxi_sym_move(&run, 0, t, -a * h, run.y, w, run.work);
            }
        }
    }
    if (status == NRX_OK && !nrxi_all_finite(run.y, 2 * d, NRX_F64)) status = NRX_E_NUMERIC;
    if (status == NRX_OK) {
        memcpy(z, run.y, 2 * d * sizeof *z);
        for (j = 0; j < d; j++) { lambda[j] = w[d + j]; lambda[d + j] = -w[j]; }
    }
    nrxi_free(&one.env, memory);
    return status == NRX_OK ? status : nrxi_fail(&one.env, status, "nrx_sym_gradient: %s",
        nrx_status_string(status));
}

/* ---- Poincare sections ---- */

typedef struct nrxi_sym_section { size_t n, coordinate, count, found; double value, *rows; } nrxi_sym_section;

NRXI_FN double nrxi_sym_section_event(void *user, double t, const double *z)
{
    const nrxi_sym_section *s = (const nrxi_sym_section *)user;
    (void)t;
    return z[s->coordinate] - s->value;
}
NRXI_FN int nrxi_sym_section_hit(void *user, size_t index, double t, const double *z)
{
    nrxi_sym_section *s = (nrxi_sym_section *)user;
    double *row = s->rows + s->found * (s->n + 1);
    (void)index;
    row[0] = t;
    memcpy(row + 1, z, s->n * sizeof *z);
    return ++s->found >= s->count;
}

NRX_DEF nrx_status nrx_sym_poincare(const nrx_sym_system *system, int method, double *z, double h,
    size_t max_steps, size_t coordinate, double value, int direction, double *rows, size_t count,
    size_t *found, const nrx_sym_desc *desc)
{
    nrx_sym_desc use = NRX_ZERO;
    nrxi_sym_section s;
    nrx_status status;
    if (desc) use = *desc;
    if (!system || !rows || !found || count == 0) return nrxi_fail(&use.env, NRX_E_ARG,
        "nrx_sym_poincare: NULL argument or no rows");
    *found = 0;
    if (coordinate >= 2 * system->d || !nrxi_finite_f64(&value))
        return nrxi_fail(&use.env, NRX_E_ARG, "nrx_sym_poincare: coordinate %zu of a state of %zu",
            coordinate, 2 * system->d);
    s.n = 2 * system->d; s.coordinate = coordinate; s.count = count; s.found = 0; s.value = value;
        s.rows = rows;
    use.event = nrxi_sym_section_event;
    use.on_event = nrxi_sym_section_hit;
    use.event_user = &s;
    use.event_direction = direction;
    use.work = NULL;
    status = nrx_sym_integrate(system, method, z, h, max_steps, &use, NULL);
    *found = s.found;
    return status;
}

/* ---- MEGNO ---- */

NRX_DEF nrx_status nrx_sym_megno(const nrx_sym_system *system, int method, double *z, double h, size_t steps,
    uint64_t seed, double *megno, double *lyapunov, const nrx_sym_desc *desc)
{
    nrx_sym_desc use = NRX_ZERO;
    nrxi_sym_run run;
    double *memory, *v, *w, growth = 0.0, Y = 0.0, sum = 0.0, before = 1.0;
    size_t n2, total, n, j;
    nrx_rng rng;
    nrx_status status;
    if (desc) { use.t0 = desc->t0; use.roundoff = desc->roundoff; use.solver = desc->solver;
        use.env = desc->env; }
    if (!system || !z || !megno || !nrxi_finite_f64(&h) || h == 0.0 || steps == 0)
        return nrxi_fail(&use.env, NRX_E_ARG, "nrx_sym_megno: NULL argument, step %g or no steps", h);
    use.tangents = 1;
    use.tangent = z;     /* replaced below */
    status = nrxi_sym_plan(&run, system, method, &use, &total, "nrx_sym_megno");
    if (status != NRX_OK) return status;
    n2 = 2 * system->d;
    if (!nrxi_all_finite(z, n2, NRX_F64)) return nrxi_fail(&use.env, NRX_E_ARG,
        "nrx_sym_megno: the state is not finite");
    memory = (double *)nrxi_alloc(&use.env, total + n2, sizeof *memory);
    if (!memory) return nrxi_fail(&use.env, NRX_E_NOMEM, "nrx_sym_megno: no memory");
    v = memory + total;
    nrxi_sym_place(&run, memory);
    run.h = h;
    nrx_rng_seed(&rng, seed, 0);
    for (j = 0; j < n2; j++) v[j] = nrx_rng_normal(&rng);
    before = sqrt(nrxi_sym_dot(n2, v, v));
    use.tangent = v;
    status = run.begin(&run, z);
    w = nrxi_sym_tangents(&run);
    for (n = 0; n < steps && status == NRX_OK; n++) {
        double norm, step;
        status = run.steps(&run, 1);
        norm = sqrt(nrxi_sym_dot(n2, w, w));
        if (status == NRX_OK && (!nrxi_finite_f64(&norm) || norm == 0.0 ||
            !nrxi_all_finite(run.y, run.check, NRX_F64)))
            status = NRX_E_NUMERIC;
        if (status != NRX_OK) break;
        step = log(norm / before);
        growth += step;
        before = norm;
        Y += step * ((double)n + 0.5);                       /* integral of (delta'/delta) t, in steps */
        sum += 2.0 * Y / ((double)n + 1.0);
        if (norm > 1e100 || norm < 1e-100) { for (j = 0; j < n2; j++) w[j] /= norm; before = 1.0; }
        if ((n & 255u) == 0 && nrxi_progress(&use.env, n, steps, sum / ((double)n + 1.0))) status =
            NRX_E_CANCELLED;
    }
    use.tangents = 0;
    if (status == NRX_OK) status = run.end(&run, z);
    if (status == NRX_OK) {
        *megno = sum / (double)steps;
        if (lyapunov) *lyapunov = growth / ((double)steps * fabs(h));
    }
    nrxi_free(&use.env, memory);
    return status == NRX_OK ? status : nrxi_fail(&use.env, status, "nrx_sym_megno: %s",
        nrx_status_string(status));
}

/* ---- variable steps ---- */

/* G = -(grad sigma . f) / sigma, the change of 1/sigma per unit of the fictive time */
NRXI_FN nrx_status nrxi_sym_density(const nrx_sym_system *s, const nrx_sym_adapt *adapt, double t,
    const double *z, double *work, double *sigma, double *G)
{
    const size_t n = 2 * s->d;
    double *grad = work, *f = work + n;
    nrx_status status;
    if (adapt->sigma) {
        status = adapt->sigma(adapt->user, z, sigma, grad);
    } else {
        const double r2 = nrxi_sym_dot(s->d, z, z), r = sqrt(r2);
        size_t j;
        *sigma = r * sqrt(r);
        for (j = 0; j < s->d; j++) { grad[j] = 1.5 * *sigma / r2 * z[j]; grad[s->d + j] = 0.0; }
        status = NRX_OK;
    }
    if (status == NRX_OK) status = nrxi_sym_field(s, t, z, f);
    if (status != NRX_OK) return status;
    *G = -nrxi_sym_dot(n, grad, f) / *sigma;
    return *sigma > 0.0 && nrxi_finite_f64(G) && nrxi_finite_f64(sigma) ? NRX_OK : NRX_E_NUMERIC;
}

/* One leapfrog step of log(T - E0) - log(-V): time and positions move by eps/(T - E0), momenta by
   eps/(-V). */
NRXI_FN nrx_status nrxi_sym_log_step(const nrx_sym_system *s, double E0, double eps, double *t, double *z,
    double *g, double *still)
{
    const size_t d = s->d;
    size_t j;
    double H, V, T, k;
    int half;
    nrx_status status = NRX_OK;
    for (half = 0; half < 2; half++) {
        status = s->energy(s->user, *t, z, z + d, &H);
        if (status == NRX_OK) status = s->energy(s->user, *t, z, still, &V);
        if (status != NRX_OK) return status;
        T = H - V;                                            /* T(p); the energy at p = 0 is V up to T(0) */
        k = 0.5 * eps / (T - E0);
        status = nrxi_sym_call_dp(s, *t, z, z + d, g);
        if (status != NRX_OK) return status;
        for (j = 0; j < d; j++) z[j] += k * g[j];
        *t += k;
        if (half == 1) return nrxi_all_finite(z, 2 * d, NRX_F64) ? NRX_OK : NRX_E_NUMERIC;
        status = s->energy(s->user, *t, z, still, &V);
        if (status == NRX_OK) status = s->dq(s->user, *t, z, z + d, g);
        if (status != NRX_OK) return status;
        if (!(V < 0.0)) return NRX_E_NUMERIC;
        for (j = 0; j < d; j++) z[d + j] += eps / V * g[j];
    }
    return status;
}

NRX_DEF nrx_status nrx_sym_integrate_adaptive(const nrx_sym_system *system, int method,
    const nrx_sym_adapt *adapt, double *z, double eps, size_t steps, double t_end, const nrx_sym_desc *desc,
    nrx_sym_info *info)
{
    const nrx_sym_adapt kepler = NRX_ZERO;
    nrx_sym_desc use = NRX_ZERO;
    nrx_sym_info unseen;
    nrxi_sym_run run;
    nrx_sym_scheme scheme;
    double *memory, *work, *next, sigma, G = 0.0, zeta = 0.0, E0 = 0.0, t, t_next, e;
    size_t n2, total = 0, n;
    nrx_status status;
    int stop = 0;
    if (desc) use = *desc;
    if (!info) info = &unseen;
    memset(info, 0, sizeof *info);
    if (!adapt) adapt = &kepler;
    if (!z || !nrxi_finite_f64(&eps) || eps == 0.0) return nrxi_fail(&use.env, NRX_E_ARG,
        "nrx_sym_integrate_adaptive: z is NULL or eps %g", eps);
    use.tangents = 0; use.event = NULL; use.times = NULL;
    use.roundoff = NRX_SYM_PLAIN;
    if (adapt->kind == NRX_SYM_LOG_HAMILTONIAN) method = NRX_SYM_VERLET;
    status = nrxi_sym_plan(&run, system, method, &use, &total, "nrx_sym_integrate_adaptive");
    if (status != NRX_OK) return status;
    if (adapt->kind == NRX_SYM_LOG_HAMILTONIAN && !system->energy)
        return nrxi_fail(&use.env, NRX_E_UNSUPPORTED,
            "nrx_sym_integrate_adaptive: the logarithmic Hamiltonian needs an energy");
    if ((nrxi_sym_scheme_find(method, &scheme) == NRX_OK && !scheme.symmetric) || method == NRX_SYM_RK4 ||
        method == NRX_SYM_EXPLICIT_EULER || method == NRX_SYM_BAOAB)
        return nrxi_fail(&use.env, NRX_E_UNSUPPORTED, "nrx_sym_integrate_adaptive: %s is not symmetric",
            nrx_sym_method_name(method));
    n2 = 2 * system->d;
    if (!nrxi_all_finite(z, n2, NRX_F64)) return nrxi_fail(&use.env, NRX_E_ARG,
        "nrx_sym_integrate_adaptive: the state is not finite");
    memory = (double *)nrxi_calloc(&use.env, total + 4 * n2, sizeof *memory);
    if (!memory) return nrxi_fail(&use.env, NRX_E_NOMEM, "nrx_sym_integrate_adaptive: no memory");
    nrxi_sym_place(&run, memory);
    work = memory + total;
    next = work + 3 * n2;
    t = use.t0;
    if (system->energy) (void)nrx_sym_energy(system, t, z, &info->energy0);
    info->energy1 = E0 = info->energy0;
    if (adapt->kind != NRX_SYM_LOG_HAMILTONIAN) {
        status = nrxi_sym_density(system, adapt, t, z, work, &sigma, &G);
        zeta = 1.0 / sigma + 0.5 * eps * G;
    }
    for (n = 0; n < steps && status == NRX_OK && !stop; n++) {
        t_next = t;
        if (adapt->kind == NRX_SYM_LOG_HAMILTONIAN) {
            memcpy(next, z, n2 * sizeof *z);
            status = nrxi_sym_log_step(system, E0, eps, &t_next, next, work, work + n2);
        } else {
            const double h = eps / zeta;
            if (!(zeta > 0.0) || !nrxi_finite_f64(&h)) { status = NRX_E_NUMERIC; break; }
            status = nrxi_sym_fraction(&run, t, h, z, next);
            t_next = t + h;
            if (status == NRX_OK) status = nrxi_sym_density(system, adapt, t_next, next, work, &sigma, &G);
            zeta += eps * G;
        }
        if (status != NRX_OK) break;
        memcpy(z, next, n2 * sizeof *z);
        t = t_next;
        info->steps = n + 1;
        if (use.every && (n + 1) % use.every == 0) {
            if (system->energy && nrx_sym_energy(system, t, z, &e) == NRX_OK) {
                info->energy1 = e;
                if (fabs(e - E0) > info->max_energy_error) info->max_energy_error = fabs(e - E0);
            }
            if (use.out && info->out_rows < use.out_rows) memcpy(use.out + n2 * info->out_rows++, z,
                n2 * sizeof *z);
            if (use.observe && use.observe(use.observe_user, n + 1, t, z)) stop = info->stopped = 1;
        }
        if (t_end > use.t0 && t >= t_end) stop = 1;
        if ((n & 255u) == 255u && nrxi_progress(&use.env, n + 1, steps, t)) status = NRX_E_CANCELLED;
    }
    info->t = t;
    info->iterations = run.iterations;
    if (system->energy && nrx_sym_energy(system, t, z, &e) == NRX_OK) {
        info->energy1 = e;
        if (fabs(e - E0) > info->max_energy_error) info->max_energy_error = fabs(e - E0);
    }
    nrxi_free(&use.env, memory);
    return status == NRX_OK ? status
                            : nrxi_fail(&use.env, status,
                                  "nrx_sym_integrate_adaptive: stopped at step %zu, t = %g", info->steps, t);
}

/* ---- self-check ---- */

/* Columns of M by central differences, extrapolated (Ridders 1982): per entry the tableau value with the
   smallest error estimate. table [8][n] scratch + y [2n]. */
NRXI_FN nrx_status nrxi_sym_map_column(const nrx_sym_map *map, double h, const double *x, size_t col,
    double *M, double *scratch)
{
    enum { LEVELS = 7 };
    const size_t n = map->n;
    double *point = scratch, *up = point + n, *down = up + n, *old = down + n, *now = old + LEVELS * n,
        *best = now + LEVELS * n;
    double delta = 0.08 * (fabs(x[col]) > 0.5 ? fabs(x[col]) : 0.5);
    size_t i;
    int k, m, good = 0;
    nrx_status status;
    memcpy(point, x, n * sizeof *x);
    for (i = 0; i < n; i++) best[i] = HUGE_VAL;
    for (k = 0; k < LEVELS; k++, delta *= 0.5) {
        double *swap;
        point[col] = x[col] + delta;
        status = map->apply(map->user, h, point, up);
        point[col] = x[col] - delta;
        if (status == NRX_OK) status = map->apply(map->user, h, point, down);
        point[col] = x[col];
        if (status != NRX_OK || !nrxi_all_finite(up, n, NRX_F64) || !nrxi_all_finite(down, n, NRX_F64)) {
            if (k + 1 < LEVELS && !good) continue;      /* left the domain: try closer */
            return NRX_E_NUMERIC;
        }
        for (i = 0; i < n; i++) {
            double factor = 1.0;
            now[i] = (up[i] - down[i]) / ((x[col] + delta) - (x[col] - delta));
            if (!good) { M[i * n + col] = now[i]; continue; }
            for (m = 1; m <= good; m++) {
                double error, a, b;
                factor *= 4.0;
                now[(size_t)m * n + i] = now[(size_t)(m - 1) * n + i] +
                    (now[(size_t)(m - 1) * n + i] - old[(size_t)(m - 1) * n + i]) / (factor - 1.0);
                a = fabs(now[(size_t)m * n + i] - now[(size_t)(m - 1) * n + i]);
                b = fabs(now[(size_t)m * n + i] - old[(size_t)(m - 1) * n + i]);
                error = a > b ? a : b;
                if (error <= best[i]) { best[i] = error; M[i * n + col] = now[(size_t)m * n + i]; }
            }
        }
        good++;
        swap = old; old = now; now = swap;
    }
    return good >= 2 ? NRX_OK : NRX_E_NUMERIC;
}

/* det of the LU that stands in a */
NRXI_FN double nrxi_sym_det(size_t n, const double *lu, const size_t *piv)
{
    double det = 1.0;
    size_t i;
    for (i = 0; i < n; i++) det *= piv[i] == i ? lu[i * n + i] : -lu[i * n + i];
    return det;
}

NRXI_FN nrx_status nrxi_sym_map_run(const nrx_sym_map *map, double h, size_t steps, const double *x,
    double *y)
{
    size_t i;
    nrx_status status = NRX_OK;
    memcpy(y, x, map->n * sizeof *y);
    for (i = 0; i < steps && status == NRX_OK; i++) status = map->apply(map->user, h, y, y);
    if (status == NRX_OK && !nrxi_all_finite(y, map->n, NRX_F64)) status = NRX_E_NUMERIC;
    return status;
}

/* Observed order: slope between successive halvings, the last that is not yet round-off. */
NRXI_FN nrx_status nrxi_sym_map_order(const nrx_sym_map *map, const double *x, double h, double span,
    int halvings, const double *exact, double *y, nrx_sym_report *r)
{
    const size_t n = map->n;
    size_t steps = (size_t)(span / h + 0.5), i;
    int k;
    nrx_status status = NRX_OK;
    if (steps == 0) steps = 1;
    for (k = 0; k <= halvings && status == NRX_OK; k++, steps *= 2) {
        double *now = y + (size_t)(k & 1) * n, *old = y + (size_t)(1 - (k & 1)) * n, e = 0.0;
        status = nrxi_sym_map_run(map, span / (double)steps, steps, x, now);
        if (exact || k > 0)
            for (i = 0; i < n; i++) {
                const double diff = fabs(now[i] - (exact ? exact[i] : old[i]));
                if (diff > e) e = diff;
            }
        if (exact) r->errors[k] = e;
        else if (k > 0) r->errors[k - 1] = e;
    }
    halvings -= exact ? 0 : 1;
    for (k = 1; k <= halvings && status == NRX_OK; k++)
        if (r->errors[k] > 1e-13 && r->errors[k - 1] > r->errors[k]) r->order =
            log(r->errors[k - 1] / r->errors[k]) / log(2.0);
    return status;
}

NRX_DEF nrx_status nrx_sym_check(const nrx_sym_map *map, const double *x, const nrx_sym_check_desc *desc,
    nrx_sym_report *report)
{
    const nrx_sym_check_desc none = NRX_ZERO;
    nrx_sym_report r;
    size_t n, d, i, j, k, total;
    double *memory, *M, *y, *scratch, h, sum;
    size_t *piv;
    nrx_status status = NRX_OK;
    if (!desc) desc = &none;
    memset(&r, 0, sizeof r);
    if (!map || !map->apply || !x || !report) return nrxi_fail(&desc->env, NRX_E_ARG,
        "nrx_sym_check: NULL argument");
    n = map->n;
    if (n == 0 || n % 2) return nrxi_fail(&desc->env, NRX_E_SHAPE,
        "nrx_sym_check: a map of R^%zu, expected an even dimension", n);
    if (n > 4096) return nrxi_fail(&desc->env, NRX_E_RANGE, "nrx_sym_check: dimension %zu, at most 4096", n);
    if (!nrxi_all_finite(x, n, NRX_F64)) return nrxi_fail(&desc->env, NRX_E_ARG,
        "nrx_sym_check: the state is not finite");
    h = desc->h != 0.0 ? desc->h : 0.1;
    d = n / 2;
    total = n * n + 2 * n + 20 * n + n;
    memory = (double *)nrxi_calloc(&desc->env, total, sizeof *memory);
    if (!memory) return nrxi_fail(&desc->env, NRX_E_NOMEM, "nrx_sym_check: no memory");
    M = memory; y = M + n * n; scratch = y + 2 * n; piv = (size_t *)(void *)(scratch + 20 * n);
    if (map->tangent) {
        for (i = 0; i < n; i++) M[i * n + i] = 1.0;            /* rows are the tangent vectors: M^T */
        status = map->tangent(map->user, h, x, n, M, M);
        for (i = 0; i < n; i++)
            for (j = i + 1; j < n; j++) { sum = M[i * n + j]; M[i * n + j] = M[j * n + i]; M[j * n + i] = sum;
                }
    } else {
        for (j = 0; j < n && status == NRX_OK; j++) status = nrxi_sym_map_column(map, h, x, j, M, scratch);
    }
    if (status == NRX_OK && !nrxi_all_finite(M, n * n, NRX_F64)) status = NRX_E_NUMERIC;
    if (status == NRX_OK) {
        for (i = 0; i < n; i++) {
            for (sum = 0.0, j = 0; j < n; j++) sum += fabs(M[i * n + j]);
            if (sum > r.norm) r.norm = sum;
        }
        for (i = 0; i < n; i++)
            for (j = 0; j < n; j++) {
                sum = i + d == j ? -1.0 : j + d == i ? 1.0 : 0.0;
                for (k = 0; k < d; k++) sum += M[k * n + i] * M[(d + k) * n + j] - M[(d + k) * n + i] *
                    M[k * n + j];
                if (fabs(sum) > r.symplectic) r.symplectic = fabs(sum);
            }
        r.symplectic /= r.norm * r.norm;
        r.symplectic_ok = r.symplectic < (map->tangent ? 1e-12 : 1e-9);
        r.determinant = nrxi_sym_lu(n, M, piv) == NRX_OK ? fabs(nrxi_sym_det(n, M, piv) - 1.0) : 1.0;
        status = map->apply(map->user, h, x, y);
        if (status == NRX_OK) status = map->apply(map->user, -h, y, y + n);
        for (i = 0; i < n && status == NRX_OK; i++) if (fabs(y[n + i] - x[i]) > r.symmetry) r.symmetry =
            fabs(y[n + i] - x[i]);
        for (i = d; i < n; i++) y[i] = -y[i];
        if (status == NRX_OK) status = map->apply(map->user, h, y, y + n);
        for (i = d; i < n; i++) y[n + i] = -y[n + i];
        for (i = 0; i < n && status == NRX_OK; i++)
            if (fabs(y[n + i] - x[i]) > r.reversibility) r.reversibility = fabs(y[n + i] - x[i]);
    }
    if (status == NRX_OK && desc->halvings >= 0)
        status = nrxi_sym_map_order(map, x, h, desc->span != 0.0 ? desc->span : 10.0 * h,
            desc->halvings == 0  ? 3
            : desc->halvings > 5 ? 5
                                 : desc->halvings,
            desc->exact, y, &r);
    nrxi_free(&desc->env, memory);
    if (status != NRX_OK) return nrxi_fail(&desc->env, status, "nrx_sym_check: the map failed: %s",
        nrx_status_string(status));
    *report = r;
    return NRX_OK;
}

/* ---- one step of a method as a map ---- */

NRXI_FN nrx_status nrxi_sym_method_apply(void *user, double h, const double *x, double *y)
{
    nrx_sym_method_map_storage *m = (nrx_sym_method_map_storage *)user;
    const size_t n = 2 * m->system.d;
    nrxi_sym_run run;
    double *memory;
    size_t total;
    nrx_status status;
    if (m->method != NRX_SYM_TAO) {
        if (x != y) memcpy(y, x, n * sizeof *y);
        return nrx_sym_integrate(&m->system, m->method, y, h, 1, &m->desc, NULL);
    }
    status = nrxi_sym_plan(&run, &m->system, m->method, &m->desc, &total, "nrx_sym_method_map");
    if (status != NRX_OK) return status;
    memory = (double *)nrxi_alloc(&m->desc.env, total, sizeof *memory);
    if (!memory) return NRX_E_NOMEM;
    nrxi_sym_place(&run, memory);
    run.h = h;
    memcpy(run.y, x, 2 * n * sizeof *x);
    status = run.steps(&run, 1);
    memcpy(y, run.y, 2 * n * sizeof *y);
    nrxi_free(&m->desc.env, memory);
    return status;
}

NRXI_FN nrx_status nrxi_sym_method_tangent(void *user, double h, const double *x, size_t k, const double *v,
    double *w)
{
    nrx_sym_method_map_storage *m = (nrx_sym_method_map_storage *)user;
    const size_t n = 2 * m->system.d;
    nrx_sym_desc desc = m->desc;
    double *z = (double *)nrxi_alloc(&desc.env, n, sizeof *z);
    nrx_status status;
    if (!z) return NRX_E_NOMEM;
    memcpy(z, x, n * sizeof *z);
    if (v != w) memcpy(w, v, k * n * sizeof *w);
    desc.tangent = w;
    desc.tangents = k;
    status = nrx_sym_integrate(&m->system, m->method, z, h, 1, &desc, NULL);
    nrxi_free(&desc.env, z);
    return status;
}

NRX_DEF nrx_status nrx_sym_method_map(const nrx_sym_system *system, int method, const nrx_sym_desc *desc,
    nrx_sym_method_map_storage *storage, nrx_sym_map *map)
{
    const nrx_sym_desc none = NRX_ZERO;
    nrxi_sym_run run;
    size_t total;
    nrx_status status;
    if (!desc) desc = &none;
    if (!system || !storage || !map) return nrxi_fail(&desc->env, NRX_E_ARG,
        "nrx_sym_method_map: NULL argument");
    storage->system = *system;
    storage->desc = *desc;
    storage->method = method;
    storage->desc.every = 0; storage->desc.event = NULL; storage->desc.times = NULL;
        storage->desc.tangents = 0;
    storage->desc.carry = NULL; storage->desc.work = NULL;
    status = nrxi_sym_plan(&run, &storage->system, method, &storage->desc, &total, "nrx_sym_method_map");
    if (status != NRX_OK) return status;
    map->n = (method == NRX_SYM_TAO ? 4 : 2) * system->d;
    map->apply = nrxi_sym_method_apply;
    map->tangent = system->hess && (nrxi_sym_is_splitting(method) || nrxi_sym_is_irk(method)) ?
        nrxi_sym_method_tangent : NULL;
    map->user = storage;
    return NRX_OK;
}

/* ==== learned flows ====
   Rows are processed in tiles of 8 lanes; every array of a tile is [rows][8], so that all inner loops run
   over lanes. */

enum { NRXI_SYM_TILE = 8 };
#if defined(NRXI_VEC) && (!defined(__FLT_EVAL_METHOD__) || __FLT_EVAL_METHOD__ == 0)   /* not with x87 */
#define NRXI_SYM_VEC 1
typedef nrxi_f64x4 nrxi_sym_v;
#define NRXI_SYM_V(p) (*(nrxi_f64x4u *)((p) + k))       /* the lanes k .. of array p inside NRXI_SYM_EACH */
enum { NRXI_SYM_STEP = 4 };
#else
typedef double nrxi_sym_v;
#define NRXI_SYM_V(p) ((p)[k])
enum { NRXI_SYM_STEP = 1 };
#endif
#define NRXI_SYM_EACH(rows) for (k = 0; k < (rows) * NRXI_SYM_TILE; k += NRXI_SYM_STEP)

/* y [rows][8] = bias (or 0) + W x, W_ij = W[i rs + j cs]: rs, cs choose W or its transpose. */
NRXI_SYM_TEMPLATE void nrxi_sym_mv_in(size_t rows, size_t cols, const double *W, size_t rs, size_t cs,
    const double *bias, const double *x, double *y)
{
    size_t i, j;
#if defined(NRXI_SYM_VEC)
    for (i = 0; i + 4 <= rows; i += 4) {
        const double *w = W + i * rs;
        nrxi_f64x4 a0 = { 0, 0, 0, 0 }, a1, b0, b1, c0, c1, d0, d1;
        a1 = a0; b0 = a0; b1 = a0; c0 = a0; c1 = a0; d0 = a0; d1 = a0;
        if (bias) {
            a0 += bias[i]; a1 += bias[i]; b0 += bias[i + 1]; b1 += bias[i + 1];
            c0 += bias[i + 2]; c1 += bias[i + 2]; d0 += bias[i + 3]; d1 += bias[i + 3];
        }
        for (j = 0; j < cols; j++) {
            const nrxi_f64x4 u = *(const nrxi_f64x4u *)(x + 8 * j), v = *(const nrxi_f64x4u *)(x + 8 * j + 4);
            a0 += w[j * cs] * u; a1 += w[j * cs] * v;
            b0 += w[rs + j * cs] * u; b1 += w[rs + j * cs] * v;
            c0 += w[2 * rs + j * cs] * u; c1 += w[2 * rs + j * cs] * v;
            d0 += w[3 * rs + j * cs] * u; d1 += w[3 * rs + j * cs] * v;
        }
        *(nrxi_f64x4u *)(y + 8 * i) = a0; *(nrxi_f64x4u *)(y + 8 * i + 4) = a1;
        *(nrxi_f64x4u *)(y + 8 * i + 8) = b0; *(nrxi_f64x4u *)(y + 8 * i + 12) = b1;
        *(nrxi_f64x4u *)(y + 8 * i + 16) = c0; *(nrxi_f64x4u *)(y + 8 * i + 20) = c1;
        *(nrxi_f64x4u *)(y + 8 * i + 24) = d0; *(nrxi_f64x4u *)(y + 8 * i + 28) = d1;
    }
    for (; i < rows; i++) {
        nrxi_f64x4 a0 = { 0, 0, 0, 0 }, a1 = a0;
        if (bias) { a0 += bias[i]; a1 += bias[i]; }
        for (j = 0; j < cols; j++) {
            a0 += W[i * rs + j * cs] * *(const nrxi_f64x4u *)(x + 8 * j);
            a1 += W[i * rs + j * cs] * *(const nrxi_f64x4u *)(x + 8 * j + 4);
        }
        *(nrxi_f64x4u *)(y + 8 * i) = a0; *(nrxi_f64x4u *)(y + 8 * i + 4) = a1;
    }
#else
    size_t l;
    for (i = 0; i < rows; i++) {
        double *yi = y + NRXI_SYM_TILE * i;
        for (l = 0; l < NRXI_SYM_TILE; l++) yi[l] = bias ? bias[i] : 0.0;
        for (j = 0; j < cols; j++)
            for (l = 0; l < NRXI_SYM_TILE; l++) yi[l] += W[i * rs + j * cs] * x[NRXI_SYM_TILE * j + l];
    }
#endif
}

/* g_ij += sum over k < terms and lanes of u_k[i] x_k[j]; entries of u and x may not be NULL. */
NRXI_SYM_TEMPLATE void nrxi_sym_outer_in(size_t rows, size_t cols, int terms, const double *const *u,
    const double *const *x, double *g)
{
    size_t i, j;
    int k;
    for (i = 0; i < rows; i++)
        for (j = 0; j < cols; j++) {
#if defined(NRXI_SYM_VEC)
            nrxi_f64x4 s = { 0, 0, 0, 0 }, r = s;
            for (k = 0; k < terms; k++) {
                s += *(const nrxi_f64x4u *)(u[k] + 8 * i) * *(const nrxi_f64x4u *)(x[k] + 8 * j);
                r += *(const nrxi_f64x4u *)(u[k] + 8 * i + 4) * *(const nrxi_f64x4u *)(x[k] + 8 * j + 4);
            }
            s += r;
            g[i * cols + j] += (s[0] + s[2]) + (s[1] + s[3]);
#else
            double s = 0.0;
            size_t l;
            for (k = 0; k < terms; k++) for (l = 0; l < NRXI_SYM_TILE;
                l++) s += u[k][NRXI_SYM_TILE * i + l] * x[k][NRXI_SYM_TILE * j + l];
            g[i * cols + j] += s;
#endif
        }
}

/* g_i += sum over lanes of u[i] */
NRXI_SYM_TEMPLATE void nrxi_sym_lane_sums(size_t rows, const double *u, double *g)
{
    size_t i;
    for (i = 0; i < rows; i++) {
        const double *v = u + NRXI_SYM_TILE * i;
        g[i] += ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7]));
    }
}

/* a = sigma(z) and its first three derivatives, n numbers each */
NRXI_SYM_TEMPLATE void nrxi_sym_activate_in(int kind, size_t rows, const double *z, double *a, double *s1,
    double *s2, double *s3)
{
    const size_t n = rows * NRXI_SYM_TILE;
    size_t k;
    switch (kind) {
    case NRX_SYM_SIN:
        nrxi_vsin_f64(n, z, a); nrxi_vcos_f64(n, z, s1);
        NRXI_SYM_EACH(rows) { NRXI_SYM_V(s2) = -NRXI_SYM_V(a); NRXI_SYM_V(s3) = -NRXI_SYM_V(s1); }
        break;
    case NRX_SYM_SIGMOID:
        nrxi_vsigmoid_f64(n, z, a);
        NRXI_SYM_EACH(rows) {
            const nrxi_sym_v s = NRXI_SYM_V(a), d = s * (1.0 - s);
            NRXI_SYM_V(s1) = d; NRXI_SYM_V(s2) = d * (1.0 - 2.0 * s); NRXI_SYM_V(s3) = d * (1.0 - 6.0 * d);
        }
        break;
    case NRX_SYM_SWISH:
        nrxi_vsigmoid_f64(n, z, s1);
        NRXI_SYM_EACH(rows) {
            const nrxi_sym_v x = NRXI_SYM_V(z), s = NRXI_SYM_V(s1), d = s * (1.0 - s),
                e = d * (1.0 - 2.0 * s), f = d * (1.0 - 6.0 * d);
            NRXI_SYM_V(a) = x * s; NRXI_SYM_V(s1) = s + x * d; NRXI_SYM_V(s2) = 2.0 * d + x * e;
                NRXI_SYM_V(s3) = 3.0 * e + x * f;
        }
        break;
    case NRX_SYM_LOGCOSH:   /* |z| + log(1 + exp(-2|z|)) - log 2 */
        nrxi_vtanh_f64(n, z, s1);
        for (k = 0; k < n; k++) a[k] = -2.0 * fabs(z[k]);
        nrxi_vexp_f64(n, a, a);
        nrxi_vlog1p_f64(n, a, a);
        for (k = 0; k < n; k++) a[k] += fabs(z[k]) - 0.69314718055994530942;
        NRXI_SYM_EACH(rows) {
            const nrxi_sym_v s = NRXI_SYM_V(s1), d = 1.0 - s * s;
            NRXI_SYM_V(s2) = d; NRXI_SYM_V(s3) = -2.0 * s * d;
        }
        break;
    default:
        nrxi_vtanh_f64(n, z, a);
        NRXI_SYM_EACH(rows) {
            const nrxi_sym_v s = NRXI_SYM_V(a), d = 1.0 - s * s;
            NRXI_SYM_V(s1) = d; NRXI_SYM_V(s2) = -2.0 * s * d; NRXI_SYM_V(s3) = d * (6.0 * s * s - 2.0);
        }
        break;
    }
}

/* One copy of each for whoever calls them plainly; the templates below are given `wide`: 1 takes them
   inline, into a function for one processor, 0 calls that copy (thirty inlined ones took the compiler
   seconds). */
NRXI_FN void nrxi_sym_mv(size_t rows, size_t cols, const double *W, size_t rs, size_t cs, const double *bias,
    const double *x, double *y)
{ nrxi_sym_mv_in(rows, cols, W, rs, cs, bias, x, y); }
NRXI_FN void nrxi_sym_outer(size_t rows, size_t cols, int terms, const double *const *u,
    const double *const *x, double *g)
{ nrxi_sym_outer_in(rows, cols, terms, u, x, g); }
NRXI_FN void nrxi_sym_activate(int kind, size_t rows, const double *z, double *a, double *s1, double *s2,
    double *s3)
{ nrxi_sym_activate_in(kind, rows, z, a, s1, s2, s3); }
NRXI_SYM_TEMPLATE void nrxi_sym_mv_as(int wide, size_t rows, size_t cols, const double *W, size_t rs,
    size_t cs, const double *bias, const double *x, double *y)
{
    if (wide) nrxi_sym_mv_in(rows, cols, W, rs, cs, bias, x, y);
    else nrxi_sym_mv(rows, cols, W, rs, cs, bias, x, y);
}
NRXI_SYM_TEMPLATE void nrxi_sym_outer_as(int wide, size_t rows, size_t cols, int terms,
    const double *const *u, const double *const *x, double *g)
{
    if (wide) nrxi_sym_outer_in(rows, cols, terms, u, x, g);
    else nrxi_sym_outer(rows, cols, terms, u, x, g);
}
NRXI_SYM_TEMPLATE void nrxi_sym_activate_as(int wide, int kind, size_t rows, const double *z, double *a,
    double *s1, double *s2, double *s3)
{
    if (wide) nrxi_sym_activate_in(kind, rows, z, a, s1, s2, s3);
    else nrxi_sym_activate(kind, rows, z, a, s1, s2, s3);
}

/* ---- a scalar MLP potential F: R^n -> R, two hidden layers: F = w3 . sigma(W2 sigma(W1 x + b1) + b2) +
   b3 ---- */

typedef struct nrxi_sym_pot {
    size_t n, H;
    int act;
    const double *value;     /* W1 [H][n], b1 [H], W2 [H][H], b2 [H], w3 [H], b3 */
    double *grad;            /* the same, or NULL */
    double *w;               /* scratch, 24 H tiles */
} nrxi_sym_pot;

NRXI_FN size_t nrxi_sym_pot_count(size_t n, size_t H) { return H * n + H + H * H + H + H + 1; }

typedef struct nrxi_sym_pot_at {       /* what evaluation leaves in the scratch */
    const double *W1, *b1, *W2, *b2, *w3;
    double *z, *a, *s1, *s2, *s3, *c, *t1, *t2, *t3, *u, *r, *free;
} nrxi_sym_pot_at;

NRXI_SYM_TEMPLATE void nrxi_sym_pot_forward(int wide, const nrxi_sym_pot *f, const double *x,
    nrxi_sym_pot_at *at)
{
    const size_t n = f->n, H = f->H, T = H * NRXI_SYM_TILE;
    at->W1 = f->value; at->b1 = at->W1 + H * n; at->W2 = at->b1 + H; at->b2 = at->W2 + H * H;
        at->w3 = at->b2 + H;
    at->z = f->w; at->a = at->z + T; at->s1 = at->a + T; at->s2 = at->s1 + T; at->s3 = at->s2 + T;
        at->c = at->s3 + T;
    at->t1 = at->c + T; at->t2 = at->t1 + T; at->t3 = at->t2 + T; at->u = at->t3 + T; at->r = at->u + T;
        at->free = at->r + T;
    nrxi_sym_mv_as(wide, H, n, at->W1, n, 1, at->b1, x, at->z);
    nrxi_sym_activate_as(wide, f->act, H, at->z, at->a, at->s1, at->s2, at->s3);
    nrxi_sym_mv_as(wide, H, H, at->W2, H, 1, at->b2, at->a, at->z);
    nrxi_sym_activate_as(wide, f->act, H, at->z, at->c, at->t1, at->t2, at->t3);
}

/* g [n] = grad F(x); with xd also gd = F''(x) xd; V [8] (or NULL) the values. */
NRXI_SYM_TEMPLATE void nrxi_sym_pot_grad(int wide, const nrxi_sym_pot *f, const double *x, const double *xd,
    double *g, double *gd, double *V)
{
    nrxi_sym_pot_at at;
    const size_t n = f->n, H = f->H, T = H * NRXI_SYM_TILE;
    size_t k;
    nrxi_sym_pot_forward(wide, f, x, &at);
    if (V) {
        size_t l, i;
        for (l = 0; l < NRXI_SYM_TILE; l++) V[l] = at.w3[H];
        for (i = 0; i < H; i++) for (l = 0; l < NRXI_SYM_TILE;
            l++) V[l] += at.w3[i] * at.c[i * NRXI_SYM_TILE + l];
    }
    NRXI_SYM_EACH(H) NRXI_SYM_V(at.u) = at.w3[k / NRXI_SYM_TILE] * NRXI_SYM_V(at.t1);
    nrxi_sym_mv_as(wide, H, H, at.W2, 1, H, NULL, at.u, at.r);
    NRXI_SYM_EACH(H) NRXI_SYM_V(at.u) = NRXI_SYM_V(at.s1) * NRXI_SYM_V(at.r);
    nrxi_sym_mv_as(wide, n, H, at.W1, 1, n, NULL, at.u, g);
    if (xd) {
        double *zx = at.free, *ax = zx + T, *rx = ax + T;
        nrxi_sym_mv_as(wide, H, n, at.W1, n, 1, NULL, xd, zx);
        NRXI_SYM_EACH(H) NRXI_SYM_V(ax) = NRXI_SYM_V(at.s1) * NRXI_SYM_V(zx);
        nrxi_sym_mv_as(wide, H, H, at.W2, H, 1, NULL, ax, at.u);
        NRXI_SYM_EACH(H) NRXI_SYM_V(at.u) = at.w3[k / NRXI_SYM_TILE] * (NRXI_SYM_V(at.t2) * NRXI_SYM_V(at.u));
        nrxi_sym_mv_as(wide, H, H, at.W2, 1, H, NULL, at.u, rx);
        NRXI_SYM_EACH(H) NRXI_SYM_V(rx) = NRXI_SYM_V(at.s2) * NRXI_SYM_V(zx) * NRXI_SYM_V(at.r) +
            NRXI_SYM_V(at.s1) * NRXI_SYM_V(rx);
        nrxi_sym_mv_as(wide, n, H, at.W1, 1, n, NULL, rx, gd);
    }
}

/* Reverse mode of S = lambda . grad F(x) + mu . F''(x) xd (mu and xd NULL: the first term only). Written
   as one forward sweep of jets - value, derivative m along mu, x along xd, and c = lambda-derivative +
   mixed second derivative - and its adjoint: xb = dS/dx, xdb = dS/dxd, parameter gradients added to
   f->grad. */
NRXI_SYM_TEMPLATE void nrxi_sym_pot_reverse(int wide, const nrxi_sym_pot *f, const double *x,
    const double *xd, const double *lambda, const double *mu, double *xb, double *xdb)
{
    nrxi_sym_pot_at at;
    const size_t n = f->n, H = f->H, T = H * NRXI_SYM_TILE;
    double *zc, *zm, *zx, *ac, *am, *ax, *yc, *ym, *yx, *b0, *bc, *bm;
    const double *us[4], *xs[4];
    size_t k;
    nrxi_sym_pot_forward(wide, f, x, &at);
    zc = at.free; ac = zc + T; yc = ac + T; bc = yc + T; zm = bc + T; am = zm + T; ym = am + T; zx = ym + T;
        ax = zx + T; yx = ax + T;
    bm = yx + T; b0 = at.u;
    nrxi_sym_mv_as(wide, H, n, at.W1, n, 1, NULL, lambda, zc);
    if (mu) {
        nrxi_sym_mv_as(wide, H, n, at.W1, n, 1, NULL, mu, zm);
        nrxi_sym_mv_as(wide, H, n, at.W1, n, 1, NULL, xd, zx);
        NRXI_SYM_EACH(H) {
            const nrxi_sym_v s1 = NRXI_SYM_V(at.s1), m = NRXI_SYM_V(zm), v = NRXI_SYM_V(zx);
            NRXI_SYM_V(am) = s1 * m; NRXI_SYM_V(ax) = s1 * v;
            NRXI_SYM_V(ac) = s1 * NRXI_SYM_V(zc) + NRXI_SYM_V(at.s2) * m * v;
        }
        nrxi_sym_mv_as(wide, H, H, at.W2, H, 1, NULL, am, ym);
        nrxi_sym_mv_as(wide, H, H, at.W2, H, 1, NULL, ax, yx);
        nrxi_sym_mv_as(wide, H, H, at.W2, H, 1, NULL, ac, yc);
        /* c^c = t1 y^c + t2 y^m y^x; its adjoint is w3. at.z, yc, ym, yx become the adjoints of y, y^c,
           y^m, y^x. */
        NRXI_SYM_EACH(H) {
            const double w3 = at.w3[k / NRXI_SYM_TILE];
            const nrxi_sym_v t1 = NRXI_SYM_V(at.t1), t2 = NRXI_SYM_V(at.t2), m = NRXI_SYM_V(ym),
                v = NRXI_SYM_V(yx), c = NRXI_SYM_V(yc);
            NRXI_SYM_V(at.c) = t1 * c + t2 * m * v;
            NRXI_SYM_V(at.z) = w3 * (t2 * c + NRXI_SYM_V(at.t3) * m * v);
            NRXI_SYM_V(yc) = w3 * t1; NRXI_SYM_V(ym) = w3 * (t2 * v); NRXI_SYM_V(yx) = w3 * (t2 * m);
        }
    } else {
        NRXI_SYM_EACH(H) NRXI_SYM_V(ac) = NRXI_SYM_V(at.s1) * NRXI_SYM_V(zc);
        nrxi_sym_mv_as(wide, H, H, at.W2, H, 1, NULL, ac, yc);
        NRXI_SYM_EACH(H) {
            const double w3 = at.w3[k / NRXI_SYM_TILE];
            const nrxi_sym_v t1 = NRXI_SYM_V(at.t1), c = NRXI_SYM_V(yc);
            NRXI_SYM_V(at.c) = t1 * c;
            NRXI_SYM_V(at.z) = w3 * (NRXI_SYM_V(at.t2) * c);
            NRXI_SYM_V(yc) = w3 * t1;
        }
    }
    nrxi_sym_mv_as(wide, H, H, at.W2, 1, H, NULL, at.z, b0);
    nrxi_sym_mv_as(wide, H, H, at.W2, 1, H, NULL, yc, bc);
    us[0] = at.z; xs[0] = at.a; us[1] = yc; xs[1] = ac; us[2] = ym; xs[2] = am; us[3] = yx; xs[3] = ax;
    if (f->grad) {
        double *gW2 = f->grad + H * n + H, *gb2 = gW2 + H * H;
        nrxi_sym_outer_as(wide, H, H, mu ? 4 : 2, us, xs, gW2);
        nrxi_sym_lane_sums(H, at.z, gb2);
        nrxi_sym_lane_sums(H, at.c, gb2 + H);
    }
    if (mu) {
        double *bx = at.c;
        nrxi_sym_mv_as(wide, H, H, at.W2, 1, H, NULL, ym, bm);
        nrxi_sym_mv_as(wide, H, H, at.W2, 1, H, NULL, yx, bx);
        NRXI_SYM_EACH(H) {     /* b0, bc, bm, bx become the adjoints of z, z^c, z^m, z^x */
            const nrxi_sym_v s1 = NRXI_SYM_V(at.s1), s2 = NRXI_SYM_V(at.s2), zmv = NRXI_SYM_V(zm),
                zxv = NRXI_SYM_V(zx);
            const nrxi_sym_v c = NRXI_SYM_V(bc), m = NRXI_SYM_V(bm), v = NRXI_SYM_V(bx);
            NRXI_SYM_V(b0) = s1 * NRXI_SYM_V(b0) + s2 * (m * zmv + v * zxv + c * NRXI_SYM_V(zc)) +
                NRXI_SYM_V(at.s3) * c * zmv * zxv;
            NRXI_SYM_V(bc) = s1 * c;
            NRXI_SYM_V(bm) = s1 * m + s2 * zxv * c;
            NRXI_SYM_V(bx) = s1 * v + s2 * zmv * c;
        }
        nrxi_sym_mv_as(wide, n, H, at.W1, 1, n, NULL, bx, xdb);
        us[3] = bx; xs[3] = xd; us[2] = bm; xs[2] = mu;
    } else {
        NRXI_SYM_EACH(H) {
            const nrxi_sym_v c = NRXI_SYM_V(bc);
            NRXI_SYM_V(b0) = NRXI_SYM_V(at.s1) * NRXI_SYM_V(b0) + NRXI_SYM_V(at.s2) * c * NRXI_SYM_V(zc);
            NRXI_SYM_V(bc) = NRXI_SYM_V(at.s1) * c;
        }
    }
    nrxi_sym_mv_as(wide, n, H, at.W1, 1, n, NULL, b0, xb);
    if (f->grad) {
        us[0] = b0; xs[0] = x; us[1] = bc; xs[1] = lambda;
        nrxi_sym_outer_as(wide, H, n, mu ? 4 : 2, us, xs, f->grad);
        nrxi_sym_lane_sums(H, b0, f->grad + H * n);
    }
}

/* The two kernels for the processor at hand. */
#if defined(NRXI_X86)
NRXI_AVX512 NRXI_FN void nrxi_sym_grad_512(const nrxi_sym_pot *f, const double *x, const double *xd,
    double *g, double *gd, double *V)
{ nrxi_sym_pot_grad(1, f, x, xd, g, gd, V); }
NRXI_AVX2 NRXI_FN void nrxi_sym_grad_2(const nrxi_sym_pot *f, const double *x, const double *xd, double *g,
    double *gd, double *V)
{ nrxi_sym_pot_grad(1, f, x, xd, g, gd, V); }
NRXI_AVX512 NRXI_FN void nrxi_sym_reverse_512(const nrxi_sym_pot *f, const double *x, const double *xd,
    const double *lambda, const double *mu, double *xb, double *xdb)
{ nrxi_sym_pot_reverse(1, f, x, xd, lambda, mu, xb, xdb); }
NRXI_AVX2 NRXI_FN void nrxi_sym_reverse_2(const nrxi_sym_pot *f, const double *x, const double *xd,
    const double *lambda, const double *mu, double *xb, double *xdb)
{ nrxi_sym_pot_reverse(1, f, x, xd, lambda, mu, xb, xdb); }
#endif
NRXI_FN void nrxi_sym_gradient_of(const nrxi_sym_pot *f, const double *x, const double *xd, double *g,
    double *gd, double *V)
{
#if defined(NRXI_X86)
    if (nrxi_cpu_avx512()) { nrxi_sym_grad_512(f, x, xd, g, gd, V); return; }
    if (nrxi_cpu_avx2()) { nrxi_sym_grad_2(f, x, xd, g, gd, V); return; }
#endif
    nrxi_sym_pot_grad(0, f, x, xd, g, gd, V);
}
NRXI_FN void nrxi_sym_reverse_of(const nrxi_sym_pot *f, const double *x, const double *xd,
    const double *lambda, const double *mu, double *xb, double *xdb)
{
#if defined(NRXI_X86)
    if (nrxi_cpu_avx512()) { nrxi_sym_reverse_512(f, x, xd, lambda, mu, xb, xdb); return; }
    if (nrxi_cpu_avx2()) { nrxi_sym_reverse_2(f, x, xd, lambda, mu, xb, xdb); return; }
#endif
    nrxi_sym_pot_reverse(0, f, x, xd, lambda, mu, xb, xdb);
}

/* ---- the flow object ---- */

enum { NRXI_SYM_POT, NRXI_SYM_LINEAR, NRXI_SYM_SHIFT, NRXI_SYM_SHEAR, NRXI_SYM_RIDGE, NRXI_SYM_HENON_MAP };
/* side 0: p moves, 1: q moves */
typedef struct nrxi_sym_layer { int type, side; size_t offset; } nrxi_sym_layer;

struct nrx_sym_flow {
    nrx_sym_flow_desc desc;
    size_t count, blocks, layers;
    double *value, *grad, *work;
    nrx_param *list;
    char *names;               /* [blocks][40] */
    nrxi_sym_layer *layer;
    size_t h0;                 /* index of the constant of Hamiltonian matching (SympFlow) */
    /* pieces of work, in tiles of 8 lanes */
    double *state;             /* [layers + 1][4d]: q, p, qdot, pdot before each layer */
    double *bar;               /* [4d] adjoints */
    double *io;                /* 8 x [2d + 1]: potential inputs and outputs */
    double *pot;               /* [24 H] */
    double *lane;              /* [12 d] one state */
};

enum { NRXI_SYM_NAME = 40 };

/* An unsigned number in decimal. */
NRXI_FN char *nrxi_sym_digits(char *at, size_t v)
{
    char text[24];
    int n = 0;
    do text[n++] = (char)('0' + v % 10); while ((v /= 10) != 0);
    while (n > 0) *at++ = text[--n];
    return at;
}

NRXI_FN void nrxi_sym_add_block(nrx_sym_flow *f, const char *head, size_t index, const char *tail,
    size_t rows, size_t cols)
{
    if (f->list) {
        nrx_param *p = &f->list[f->blocks];
        char *name = f->names + NRXI_SYM_NAME * f->blocks, *at = name;
        size_t n = strlen(head);
        memcpy(at, head, n);
        at += n;
        if (tail) {
            at = nrxi_sym_digits(at, index);
            memcpy(at, tail, strlen(tail));
            at += strlen(tail);
        }
        *at = 0;
        p->name = name;
        p->value = f->value + f->count; p->grad = f->grad + f->count;
        p->rows = rows; p->cols = cols; p->dtype = NRX_F64; p->constraint = NRX_FREE;
    }
    f->blocks++;
    f->count += rows * cols;
}

NRXI_FN void nrxi_sym_add_layer(nrx_sym_flow *f, int type, int side)
{
    if (f->layer) { f->layer[f->layers].type = type; f->layer[f->layers].side = side;
        f->layer[f->layers].offset = f->count; }
    f->layers++;
}

NRXI_FN void nrxi_sym_add_mlp(nrx_sym_flow *f, const char *head, size_t index, size_t in, size_t out)
{
    const size_t H = f->desc.width;
    nrxi_sym_add_block(f, head, index, ".0.weight", H, in);
    nrxi_sym_add_block(f, head, index, ".0.bias", 1, H);
    nrxi_sym_add_block(f, head, index, ".2.weight", H, H);
    nrxi_sym_add_block(f, head, index, ".2.bias", 1, H);
    nrxi_sym_add_block(f, head, index, ".4.weight", out, H);
    nrxi_sym_add_block(f, head, index, ".4.bias", 1, out);
}

/* Counts blocks, layers and parameters; the second time, with memory there, fills them in. */
NRXI_FN void nrxi_sym_build(nrx_sym_flow *f)
{
    const nrx_sym_flow_desc *c = &f->desc;
    const size_t d = c->d, H = c->width;
    size_t i, k;
    f->blocks = f->layers = f->count = 0;
    switch (c->kind) {
    case NRX_SYM_NET_LA:
        for (i = 0; i < c->layers; i++) {
            for (k = 0; k < c->sublayers; k++) {
                nrxi_sym_add_layer(f, NRXI_SYM_LINEAR, (int)(k % 2));
                nrxi_sym_add_block(f, "linear.", i * c->sublayers + k, ".S", d, d);
            }
            nrxi_sym_add_layer(f, NRXI_SYM_SHIFT, 0);
            nrxi_sym_add_block(f, "linear.", i, ".bp", 1, d);
            nrxi_sym_add_layer(f, NRXI_SYM_SHIFT, 1);
            nrxi_sym_add_block(f, "linear.", i, ".bq", 1, d);
            if (i + 1 < c->layers) {
                nrxi_sym_add_layer(f, NRXI_SYM_SHEAR, (int)(i % 2));
                nrxi_sym_add_block(f, "activation.", i, ".a", 1, d);
            }
        }
        break;
    case NRX_SYM_NET_G: case NRX_SYM_NET_HENON:
        for (i = 0; i < c->layers; i++) {
            nrxi_sym_add_layer(f, c->kind == NRX_SYM_NET_G ? (int)NRXI_SYM_RIDGE : (int)NRXI_SYM_HENON_MAP,
                (int)(i % 2));
            nrxi_sym_add_block(f, "layer.", i, ".K", d, H);
            nrxi_sym_add_block(f, "layer.", i, ".a", 1, H);
            nrxi_sym_add_block(f, "layer.", i, ".b", 1, H);
            if (c->kind == NRX_SYM_NET_HENON) nrxi_sym_add_block(f, "layer.", i, ".eta", 1, d);
        }
        break;
    case NRX_SYM_NET_HNN: case NRX_SYM_NET_GENERATING: nrxi_sym_add_mlp(f, "potential.", 0, 2 * d, 1); break;
    case NRX_SYM_NET_MLP: nrxi_sym_add_mlp(f, "net.", 0, 2 * d + 1, 2 * d); break;
    default:
        for (i = 0; i < c->layers; i++) {
            nrxi_sym_add_layer(f, NRXI_SYM_POT, 0);
            nrxi_sym_add_mlp(f, "potentials_q.", i, d + 1, 1);
            nrxi_sym_add_layer(f, NRXI_SYM_POT, 1);
            nrxi_sym_add_mlp(f, "potentials_pi.", i, d + 1, 1);
        }
        f->h0 = f->count;
        nrxi_sym_add_block(f, "h_0", 0, NULL, 1, 1);
        break;
    }
}

/* Uniform in +-1/sqrt(fan_in), sin: +-sqrt(6/H)/30; SympNets: normal with deviation 0.01, biases 0 (as
   published). */
NRXI_FN void nrxi_sym_initialize(nrx_sym_flow *f)
{
    const int mlp = f->desc.kind == NRX_SYM_NET_SYMPFLOW || f->desc.kind >= NRX_SYM_NET_HNN;
    const double H = (double)f->desc.width;
    nrx_rng rng;
    size_t b, i;
    nrx_rng_seed(&rng, f->desc.seed, 0);
    for (b = 0; b < f->blocks; b++) {
        nrx_param *p = &f->list[b];
        double *v = (double *)p->value;
        const char last = p->name[strlen(p->name) - 1];
        double bound = p->rows > 1 || last == 't' ? 1.0 / sqrt((double)p->cols) : 1.0 /
            sqrt((double)f->list[b ? b - 1 : 0].cols);
        if (f->desc.activation == NRX_SYM_SIN) bound = sqrt(6.0 / H) / 30.0;
        for (i = 0; i < p->rows * p->cols; i++) {
            const double u = nrx_rng_uniform(&rng);
            if (mlp) v[i] = strcmp(p->name, "h_0") == 0 ? 0.0 : bound * (2.0 * u - 1.0);
            else if (last == 'K') v[i] = nrx_rng_normal(&rng) / sqrt((double)f->desc.d);
            else if (last == 'S' || last == 'a') v[i] = 0.01 * nrx_rng_normal(&rng);
            else v[i] = last == 'b' ? 2.0 * u - 1.0 : 0.0;
        }
    }
}

NRX_DEF nrx_status nrx_sym_flow_create(const nrx_sym_flow_desc *desc, nrx_sym_flow **flow)
{
    nrx_sym_flow count, *f;
    size_t tiles, d, H, wide, total = 0, bytes;
    if (flow) *flow = NULL;
    if (!desc || !flow) return nrxi_fail(desc ? &desc->env : NULL, NRX_E_ARG,
        "nrx_sym_flow_create: NULL argument");
    memset(&count, 0, sizeof count);
    count.desc = *desc;
    if (!count.desc.layers) count.desc.layers = 3;
    if (!count.desc.width) count.desc.width = 10;
    if (!count.desc.sublayers) count.desc.sublayers = 5;
    d = desc->d; H = count.desc.width;
    if (d == 0 || d > 4096 || H > 1024 || count.desc.layers > 1024 || count.desc.sublayers > 1024)
        return nrxi_fail(&desc->env, NRX_E_ARG,
            "nrx_sym_flow_create: d %zu, layers %zu, width %zu, sublayers %zu", d, count.desc.layers, H,
                         count.desc.sublayers);
    if (desc->kind < 0 || desc->kind > NRX_SYM_NET_MLP || desc->activation < 0 ||
        desc->activation > NRX_SYM_LOGCOSH)
        return nrxi_fail(&desc->env, NRX_E_ARG, "nrx_sym_flow_create: kind %d, activation %d", desc->kind,
            desc->activation);
    if (desc->project && (desc->kind != NRX_SYM_NET_SYMPFLOW || d % 2))
        return nrxi_fail(&desc->env, NRX_E_UNSUPPORTED,
            "nrx_sym_flow_create: projection is for a SympFlow with even d, not kind %d, d %zu",
                         desc->kind, d);
    nrxi_sym_build(&count);
    wide = 2 * d + 1;
    tiles = (count.layers + 1) * 4 * d + 4 * d + 12 * wide + 24 * (H > d ? H : d) + 8;
    if (!nrxi_mul_ok(tiles, NRXI_SYM_TILE, &tiles) || !nrxi_add_ok(tiles, 2 * count.count + 24 * d, &total))
        return nrxi_fail(&desc->env, NRX_E_RANGE, "nrx_sym_flow_create: size overflow");
    f = (nrx_sym_flow *)nrxi_calloc(&desc->env, 1, sizeof *f);
    bytes = NRXI_SYM_NAME;
    if (f) {
        *f = count;
        f->value = (double *)nrxi_calloc(&desc->env, total, sizeof(double));
        f->list = (nrx_param *)nrxi_calloc(&desc->env, count.blocks, sizeof *f->list);
        f->names = (char *)nrxi_calloc(&desc->env, count.blocks, bytes);
        f->layer = (nrxi_sym_layer *)nrxi_calloc(&desc->env, count.layers + 1, sizeof *f->layer);
    }
    if (!f || !f->value || !f->list || !f->names || !f->layer) {
        nrx_sym_flow_destroy(f);
        return nrxi_fail(&desc->env, NRX_E_NOMEM, "nrx_sym_flow_create: no memory for %zu parameters",
            count.count);
    }
    f->grad = f->value + count.count;
    f->work = f->grad + count.count;
    f->state = f->work;
    f->bar = f->state + (count.layers + 1) * 4 * d * NRXI_SYM_TILE;
    f->io = f->bar + 4 * d * NRXI_SYM_TILE;
    f->pot = f->io + 12 * wide * NRXI_SYM_TILE;
    f->lane = f->pot + 24 * (H > d ? H : d) * NRXI_SYM_TILE + 8 * NRXI_SYM_TILE;
    nrxi_sym_build(f);
    nrxi_sym_initialize(f);
    *flow = f;
    return NRX_OK;
}

NRX_DEF void nrx_sym_flow_destroy(nrx_sym_flow *flow)
{
    nrx_env env;
    if (!flow) return;
    env = flow->desc.env;
    nrxi_free(&env, flow->value);
    nrxi_free(&env, flow->list);
    nrxi_free(&env, flow->names);
    nrxi_free(&env, flow->layer);
    nrxi_free(&env, flow);
}

NRX_DEF nrx_sym_flow_desc nrx_sym_flow_info(const nrx_sym_flow *flow)
{
    const nrx_sym_flow_desc none = NRX_ZERO;
    return flow ? flow->desc : none;
}
NRX_DEF double *nrx_sym_flow_values(nrx_sym_flow *flow, size_t *count)
{
    if (count) *count = flow ? flow->count : 0;
    return flow ? flow->value : NULL;
}
NRX_DEF double *nrx_sym_flow_grads(nrx_sym_flow *flow) { return flow ? flow->grad : NULL; }
NRX_DEF nrx_param *nrx_sym_flow_params(nrx_sym_flow *flow, size_t *count)
{
    if (count) *count = flow ? flow->blocks : 0;
    return flow ? flow->list : NULL;
}

/* ---- tiles in and out ---- */

/* rows first .. of x [n][m] into lanes; lanes past the end repeat the last row */
NRXI_FN void nrxi_sym_gather(size_t n, size_t m, size_t first, const double *x, double *tile)
{
    size_t j, l;
    for (l = 0; l < NRXI_SYM_TILE; l++) {
        const double *row = x + (first + l < n ? first + l : n - 1) * m;
        for (j = 0; j < m; j++) tile[j * NRXI_SYM_TILE + l] = row[j];
    }
}
NRXI_FN void nrxi_sym_scatter(size_t n, size_t m, size_t first, const double *tile, double *x)
{
    size_t j, l;
    for (l = 0; l < NRXI_SYM_TILE && first + l < n; l++)
        for (j = 0; j < m; j++) x[(first + l) * m + j] = tile[j * NRXI_SYM_TILE + l];
}

/* ---- layers on a tile s = q, p [, qdot, pdot], each [d][8] ---- */

NRXI_FN nrxi_sym_pot nrxi_sym_pot_of(const nrx_sym_flow *f, size_t offset, size_t n)
{
    nrxi_sym_pot p;
    p.n = n; p.H = f->desc.width; p.act = f->desc.activation;
    p.value = f->value + offset; p.grad = NULL; p.w = f->pot;
    return p;
}

/* (x, t) and its direction (xd, td) as potential inputs */
NRXI_FN void nrxi_sym_join(size_t d, const double *x, const double *t, double factor, double *out)
{
    size_t l;
    memcpy(out, x, d * NRXI_SYM_TILE * sizeof *out);
    for (l = 0; l < NRXI_SYM_TILE; l++) out[d * NRXI_SYM_TILE + l] = t ? factor * t[l] : factor;
}

/* Potential layer: dst += sign (grad F(t, src) - grad F(0, src)); with `dots` also the directional
   derivative, time moving at rate `td`. rate [8] (or NULL) += dF/dt(t, src) before. */
NRXI_FN void nrxi_sym_pot_layer(nrx_sym_flow *f, const nrxi_sym_layer *layer, double direction,
    const double *t, double td, int dots, double *s, double *rate)
{
    const size_t d = f->desc.d, D = d * NRXI_SYM_TILE, W = (2 * d + 1) * NRXI_SYM_TILE;
    const double sign = (layer->side ? 1.0 : -1.0) * direction;
    const nrxi_sym_pot pot = nrxi_sym_pot_of(f, layer->offset, d + 1);
    double *src = s + (layer->side ? D : 0), *dst = s + (layer->side ? 0 : D);
    double *x = f->io, *xd = x + W, *g = xd + W, *gd = g + W, *g0 = gd + W, *gd0 = g0 + W;
    size_t k;
    nrxi_sym_join(d, src, t, 1.0, x);
    if (dots) nrxi_sym_join(d, src + 2 * D, NULL, td, xd);
    nrxi_sym_gradient_of(&pot, x, dots ? xd : NULL, g, gd, NULL);
    for (k = 0; k < NRXI_SYM_TILE; k++) {
        x[D + k] = 0.0; xd[D + k] = 0.0;
        if (rate) rate[k] += g[D + k];
    }
    nrxi_sym_gradient_of(&pot, x, dots ? xd : NULL, g0, gd0, NULL);
    for (k = 0; k < D; k++) dst[k] += sign * (g[k] - g0[k]);
    if (dots) for (k = 0; k < D; k++) dst[2 * D + k] += sign * (gd[k] - gd0[k]);
}

/* Reverse of the above at the layer's input s: bar = adjoints of its output become those of its input.
   hbar: weight of dF/dt for Hamiltonian matching (direction -1). */
NRXI_FN void nrxi_sym_pot_layer_back(nrx_sym_flow *f, const nrxi_sym_layer *layer, double direction,
    const double *t, int dots, const double *s, double *bar, const double *hbar, int gradients)
{
    const size_t d = f->desc.d, D = d * NRXI_SYM_TILE, W = (2 * d + 1) * NRXI_SYM_TILE;
    const double sign = (layer->side ? 1.0 : -1.0) * direction;
    nrxi_sym_pot pot = nrxi_sym_pot_of(f, layer->offset, d + 1);
    const double *src = s + (layer->side ? D : 0);
    double *bsrc = bar + (layer->side ? D : 0), *bdst = bar + (layer->side ? 0 : D);
    double *x = f->io, *xd = x + W, *lambda = xd + W, *mu = lambda + W, *xb = mu + W, *xdb = xb + W;
    size_t k;
    int node;
    if (gradients) pot.grad = f->grad + layer->offset;
    for (node = 0; node < 2; node++) {
        const double w = node ? -sign : sign;
        nrxi_sym_join(d, src, t, node ? 0.0 : 1.0, x);
        for (k = 0; k < D; k++) lambda[k] = w * bdst[k];
        for (k = 0; k < NRXI_SYM_TILE; k++) lambda[D + k] = hbar && !node ? hbar[k] : 0.0;
        if (dots) {
            nrxi_sym_join(d, src + 2 * D, NULL, node ? 0.0 : 1.0, xd);
            for (k = 0; k < D; k++) mu[k] = w * bdst[2 * D + k];
            for (k = 0; k < NRXI_SYM_TILE; k++) mu[D + k] = 0.0;
        }
        nrxi_sym_reverse_of(&pot, x, dots ? xd : NULL, lambda, dots ? mu : NULL, xb, xdb);
        for (k = 0; k < D; k++) bsrc[k] += xb[k];
        if (dots) for (k = 0; k < D; k++) bsrc[2 * D + k] += xdb[k];
    }
}

/* ---- SympNet and Henon layers: y += sign t f(x), f linear, shift, a sigma(x) or K (a sigma(K^T x + b))
   ---- */

/* f(x) -> y [d], with xd also its derivative along xd -> yd. Scratch f->pot. */
NRXI_FN void nrxi_sym_shear(nrx_sym_flow *f, const nrxi_sym_layer *layer, const double *x, const double *xd,
    double *y, double *yd)
{
    const size_t d = f->desc.d, n = f->desc.width, P = NRXI_SYM_TILE;
    const double *v = f->value + layer->offset;
    const size_t wide = n > d ? n : d;
    double *z = f->pot, *a = z + wide * P, *s1 = a + wide * P, *s2 = s1 + wide * P, *s3 = s2 + wide * P,
        *u = s3 + wide * P;
    size_t i, j, l;
    switch (layer->type) {
    case NRXI_SYM_LINEAR:
        for (i = 0; i < d; i++)
            for (l = 0; l < P; l++) {
                double sum = 0.0, sumd = 0.0;
                for (j = 0; j < d; j++) {
                    const double S = v[i * d + j] + v[j * d + i];
                    sum += S * x[j * P + l];
                    if (xd) sumd += S * xd[j * P + l];
                }
                y[i * P + l] = sum;
                if (xd) yd[i * P + l] = sumd;
            }
        break;
    case NRXI_SYM_SHIFT:
        for (i = 0; i < d * P; i++) { y[i] = v[i / P]; if (xd) yd[i] = 0.0; }
        break;
    case NRXI_SYM_SHEAR:
        nrxi_sym_activate(f->desc.activation, d, x, a, s1, s2, s3);
        for (i = 0; i < d * P; i++) { y[i] = v[i / P] * a[i]; if (xd) yd[i] = v[i / P] * s1[i] * xd[i]; }
        break;
    default:   /* ridge */
        nrxi_sym_mv(n, d, v, 1, n, v + d * n + n, x, z);
        nrxi_sym_activate(f->desc.activation, n, z, a, s1, s2, s3);
        for (i = 0; i < n * P; i++) a[i] *= v[d * n + i / P];
        nrxi_sym_mv(d, n, v, n, 1, NULL, a, y);
        if (xd) {
            nrxi_sym_mv(n, d, v, 1, n, NULL, xd, u);
            for (i = 0; i < n * P; i++) u[i] *= s1[i] * v[d * n + i / P];
            nrxi_sym_mv(d, n, v, n, 1, NULL, u, yd);
        }
        break;
    }
}

/* Adjoint of f at x for the weights `bar` [d] (already times sign and t): xb += ; parameter gradients
   added. */
NRXI_FN void nrxi_sym_shear_back(nrx_sym_flow *f, const nrxi_sym_layer *layer, const double *x,
    const double *bar, double *xb, int gradients)
{
    const size_t d = f->desc.d, n = f->desc.width, P = NRXI_SYM_TILE;
    const double *v = f->value + layer->offset;
    double *g = f->grad + layer->offset;
    const size_t wide = n > d ? n : d;
    double *z = f->pot, *a = z + wide * P, *s1 = a + wide * P, *s2 = s1 + wide * P, *s3 = s2 + wide * P,
        *u = s3 + wide * P, *w = u + wide * P;
    size_t i, j, l;
    switch (layer->type) {
    case NRXI_SYM_LINEAR:
        for (i = 0; i < d; i++)
            for (j = 0; j < d; j++) {
                const double S = v[i * d + j] + v[j * d + i];
                double sum = 0.0;
                for (l = 0; l < P; l++) { xb[j * P + l] += S * bar[i * P + l];
                    sum += bar[i * P + l] * x[j * P + l]; }
                if (gradients) { g[i * d + j] += sum; g[j * d + i] += sum; }
            }
        break;
    case NRXI_SYM_SHIFT:
        if (gradients) nrxi_sym_lane_sums(d, bar, g);
        break;
    case NRXI_SYM_SHEAR:
        nrxi_sym_activate(f->desc.activation, d, x, a, s1, s2, s3);
        for (i = 0; i < d * P; i++) { xb[i] += v[i / P] * s1[i] * bar[i]; a[i] *= bar[i]; }
        if (gradients) nrxi_sym_lane_sums(d, a, g);
        break;
    default: {
        const double *us[2], *xs[2];
        nrxi_sym_mv(n, d, v, 1, n, v + d * n + n, x, z);
        nrxi_sym_activate(f->desc.activation, n, z, a, s1, s2, s3);
        nrxi_sym_mv(n, d, v, 1, n, NULL, bar, u);                      /* K^T bar */
        for (i = 0; i < n * P; i++) {
            s2[i] = a[i] * u[i];                                       /* da */
            a[i] *= v[d * n + i / P];
            w[i] = u[i] * v[d * n + i / P] * s1[i];                    /* dz */
        }
        if (gradients) {
            us[0] = bar; xs[0] = a; us[1] = x; xs[1] = w;
            nrxi_sym_outer(d, n, 2, us, xs, g);
            nrxi_sym_lane_sums(n, s2, g + d * n);
            nrxi_sym_lane_sums(n, w, g + d * n + n);
        }
        nrxi_sym_mv(d, n, v, n, 1, NULL, w, s3);
        for (i = 0; i < d * P; i++) xb[i] += s3[i];
        break; }
    }
}

/* One Henon map (x, y) -> (y + eta, -x + grad V(y)) or its inverse, on q = x, p = y. */
NRXI_FN void nrxi_sym_henon(nrx_sym_flow *f, const nrxi_sym_layer *layer, int inverse, int dots, double *s)
{
    const size_t d = f->desc.d, D = d * NRXI_SYM_TILE;
    const double *eta = f->value + layer->offset + d * f->desc.width + 2 * f->desc.width;
    double *x = s, *y = s + D, *g = f->io, *gd = g + D, *keep = gd + D;
    size_t k;
    if (!inverse) {
        nrxi_sym_shear(f, layer, y, dots ? y + 2 * D : NULL, g, gd);
        for (k = 0; k < D; k++) {
            const double x0 = x[k];
            x[k] = y[k] + eta[k / NRXI_SYM_TILE]; y[k] = g[k] - x0;
            if (dots) { const double v = x[2 * D + k]; x[2 * D + k] = y[2 * D + k]; y[2 * D + k] = gd[k] - v;
                }
        }
    } else {
        for (k = 0; k < D; k++) keep[k] = x[k] - eta[k / NRXI_SYM_TILE];
        nrxi_sym_shear(f, layer, keep, NULL, g, gd);
        for (k = 0; k < D; k++) { x[k] = g[k] - y[k]; y[k] = keep[k]; }
    }
}

/* Any layer, forward (direction 1) or undone (-1). td: rate of time for the dots. */
NRXI_FN void nrxi_sym_layer_run(nrx_sym_flow *f, const nrxi_sym_layer *layer, double direction,
    const double *t, double td, int dots, double *s, double *rate)
{
    const size_t d = f->desc.d, D = d * NRXI_SYM_TILE;
    int i;
    if (layer->type == NRXI_SYM_POT) { nrxi_sym_pot_layer(f, layer, direction, t, td, dots, s, rate); return;
        }
    if (layer->type == NRXI_SYM_HENON_MAP) {
        for (i = 0; i < 4; i++) nrxi_sym_henon(f, layer, direction < 0.0, dots, s);
        return;
    }
    {
        double *src = s + (layer->side ? D : 0), *dst = s + (layer->side ? 0 : D), *y = f->io, *yd = y + D;
        size_t k;
        nrxi_sym_shear(f, layer, src, dots ? src + 2 * D : NULL, y, yd);
        for (k = 0; k < D; k++) {
            dst[k] += direction * t[k % NRXI_SYM_TILE] * y[k];
            if (dots) dst[2 * D + k] += direction * (t[k % NRXI_SYM_TILE] * yd[k] + td * y[k]);
        }
    }
}

/* Adjoint of a forward layer at its input s (dots: only potentials). */
NRXI_FN void nrxi_sym_layer_back(nrx_sym_flow *f, const nrxi_sym_layer *layer, const double *t, int dots,
    const double *s, double *bar)
{
    const size_t d = f->desc.d, D = d * NRXI_SYM_TILE;
    size_t k;
    int i, j;
    if (layer->type == NRXI_SYM_POT) { nrxi_sym_pot_layer_back(f, layer, 1.0, t, dots, s, bar, NULL, 1);
        return; }
    if (layer->type == NRXI_SYM_HENON_MAP) {
        double *now = f->io + 4 * D, *gb = now + 2 * D, *eta = f->grad + layer->offset + d * f->desc.width +
            2 * f->desc.width;
        for (i = 3; i >= 0; i--) {
            memcpy(now, s, 2 * D * sizeof *now);
            for (j = 0; j < i; j++) nrxi_sym_henon(f, layer, 0, 0, now);
            /* X = y + eta, Y = grad V(y) - x */
            nrxi_sym_lane_sums(d, bar, eta);
            memset(gb, 0, D * sizeof *gb);
            nrxi_sym_shear_back(f, layer, now + D, bar + D, gb, 1);
            for (k = 0; k < D; k++) { const double X = bar[k]; bar[k] = -bar[D + k]; bar[D + k] = X + gb[k]; }
        }
        return;
    }
    {
        const double *src = s + (layer->side ? D : 0);
        double *bsrc = bar + (layer->side ? D : 0), *bdst = bar + (layer->side ? 0 : D), *w = f->io;
        for (k = 0; k < D; k++) w[k] = t[k % NRXI_SYM_TILE] * bdst[k];
        nrxi_sym_shear_back(f, layer, src, w, bsrc, 1);
    }
}

/* ---- generating function q.P + t S(q, P): p = P + t S_q, Q = q + t S_P ---- */

NRXI_FN nrx_status nrxi_sym_generate(nrx_sym_flow *f, int inverse, const double *t, int dots, double td,
    double *s)
{
    const size_t d = f->desc.d, D = d * NRXI_SYM_TILE, W = (2 * d + 1) * NRXI_SYM_TILE;
    const nrxi_sym_pot pot = nrxi_sym_pot_of(f, 0, 2 * d);
    double *x = f->io, *xd = x + W, *g = xd + W, *gd = g + W, previous = HUGE_VAL;
    const double *fixed = inverse ? s : s + D;            /* known: p forwards, Q backwards */
    const size_t to = inverse ? 0 : D;                    /* where the unknown half of (q, P) stands */
    size_t k;
    int it;
    memcpy(x, s, 2 * D * sizeof *x);                      /* start: P = p, or q = Q */
    for (it = 0; it < 200; it++) {       /* P = p - t S_q(q, P), or q = Q - t S_P(q, P) */
        double change = 0.0, scale = 1e-300;
        nrxi_sym_gradient_of(&pot, x, NULL, g, gd, NULL);
        for (k = 0; k < D; k++) {
            const double v = fixed[k] - t[k % NRXI_SYM_TILE] * g[inverse ? D + k : k],
                e = fabs(v - x[to + k]);
            if (!nrxi_finite_f64(&v)) return NRX_E_NUMERIC;
            if (e > change) change = e;
            if (fabs(v) > scale) scale = fabs(v);
            x[to + k] = v;
        }
        if (change == 0.0 || (change <= 1e-14 * (1.0 + scale) && change >= previous)) break;
        previous = change;
    }
    if (it == 200 && !(previous < 1e-12)) return NRX_E_NUMERIC;
    nrxi_sym_gradient_of(&pot, x, NULL, g, gd, NULL);
    if (dots) {   /* the same equations, linearised: dP = dp - t (S'' (dq, dP))_q - td S_q */
        double *sd = s + 2 * D;
        memcpy(xd, sd, 2 * D * sizeof *xd);
        previous = HUGE_VAL;
        for (it = 0; it < 200; it++) {
            double change = 0.0;
            nrxi_sym_gradient_of(&pot, x, xd, g, gd, NULL);
            for (k = 0; k < D; k++) {
                const double v = sd[D + k] - t[k % NRXI_SYM_TILE] * gd[k] - td * g[k],
                    e = fabs(v - xd[D + k]);
                if (e > change) change = e;
                xd[D + k] = v;
            }
            if (change == 0.0 || (change < 1e-13 && change >= previous)) break;
            previous = change;
        }
        nrxi_sym_gradient_of(&pot, x, xd, g, gd, NULL);
        for (k = 0; k < D; k++) sd[k] += t[k % NRXI_SYM_TILE] * gd[D + k] + td * g[D + k];
        memcpy(sd + D, xd + D, D * sizeof *sd);
    }
    for (k = 0; k < D; k++) {
        const double tk = t[k % NRXI_SYM_TILE];
        if (!inverse) { s[k] = x[k] + tk * g[D + k]; s[D + k] = x[D + k]; }
        else { s[D + k] = x[D + k] + tk * g[k]; s[k] = x[k]; }
    }
    return NRX_OK;
}

/* Adjoint at the input s of the forward map: mu + t S_Pq mu = Pb + t S_PP Qb, then u = (-mu, Qb) in t u .
   grad S. */
NRXI_FN nrx_status nrxi_sym_generate_back(nrx_sym_flow *f, const double *t, const double *s, double *bar)
{
    const size_t d = f->desc.d, D = d * NRXI_SYM_TILE, W = (2 * d + 1) * NRXI_SYM_TILE;
    nrxi_sym_pot pot = nrxi_sym_pot_of(f, 0, 2 * d);
    double *x = f->io + 4 * W, *u = x + W, *xb = u + W, *g = xb + W, *gd = g + W, previous = HUGE_VAL;
    size_t k;
    int it;
    nrx_status status;
    memcpy(x, s, 2 * D * sizeof *x);
    status = nrxi_sym_generate(f, 0, t, 0, 0.0, x);       /* x = (Q, P); the potential wants (q, P) */
    if (status != NRX_OK) return status;
    memcpy(x, s, D * sizeof *x);
    for (k = 0; k < D; k++) { u[k] = -bar[D + k]; u[D + k] = bar[k]; }
    for (it = 0; it < 200; it++) {                         /* mu = Pb + t (S'' (-mu, Qb))_P */
        double change = 0.0;
        nrxi_sym_gradient_of(&pot, x, u, g, gd, NULL);
        for (k = 0; k < D; k++) {
            const double mu = bar[D + k] + t[k % NRXI_SYM_TILE] * gd[D + k], e = fabs(mu + u[k]);
            if (!nrxi_finite_f64(&mu)) return NRX_E_NUMERIC;
            if (e > change) change = e;
            u[k] = -mu;
        }
        if (change == 0.0 || (change < 1e-15 + 1e-14 * nrxi_sym_max_abs(2 * D, u) &&
            change >= previous)) break;
        previous = change;
    }
    for (k = 0; k < 2 * D; k++) g[k] = t[k % NRXI_SYM_TILE] * u[k];
    pot.grad = f->grad;
    nrxi_sym_reverse_of(&pot, x, NULL, g, NULL, xb, gd);
    for (k = 0; k < D; k++) { const double mu = -u[k]; bar[k] += xb[k]; bar[D + k] = mu; }
    return NRX_OK;
}

/* ---- MLP baseline x + tanh(t) N(x, t) ---- */

/* One sweep at s (q, p, dots): with `back` NULL the state moves forward; else `back` [4d] are adjoints of
   y, ydot that become those of x, and the parameter gradients grow. Time moves at rate td. */
NRXI_FN void nrxi_sym_mlp(nrx_sym_flow *f, const double *t, double td, int dots, double *s, double *back)
{
    const size_t n = 2 * f->desc.d, H = f->desc.width, in = n + 1, P = NRXI_SYM_TILE, T = H * P;
    const double *W1 = f->value, *b1 = W1 + H * in, *W2 = b1 + H, *b2 = W2 + H * H, *W3 = b2 + H,
        *b3 = W3 + n * H;
    double *z = f->pot, *a = z + T, *s1 = a + T, *s2 = s1 + T, *s3 = s2 + T, *c = s3 + T, *t1 = c + T,
        *t2 = t1 + T, *t3 = t2 + T;
    double *zx = t3 + T, *ax = zx + T, *yx = ax + T, *cx = yx + T, *bz = cx + T, *bx = bz + T, *b = bx + T;
    double *x = f->io, *xd = x + in * P, *N = xd + in * P, *Nd = N + n * P, *Nb = Nd + n * P,
        *Ndb = Nb + n * P, *xb = Ndb + n * P;
    double th[NRXI_SYM_TILE], dth[NRXI_SYM_TILE];
    size_t i, k;
    nrxi_sym_join(n, s, t, 1.0, x);
    for (k = 0; k < P; k++) { th[k] = tanh(t[k]); dth[k] = 1.0 - th[k] * th[k]; }
    nrxi_sym_mv(H, in, W1, in, 1, b1, x, z);
    nrxi_sym_activate(f->desc.activation, H, z, a, s1, s2, s3);
    nrxi_sym_mv(H, H, W2, H, 1, b2, a, z);
    nrxi_sym_activate(f->desc.activation, H, z, c, t1, t2, t3);
    nrxi_sym_mv(n, H, W3, H, 1, b3, c, N);
    if (dots) {
        nrxi_sym_join(n, s + n * P, NULL, td, xd);
        nrxi_sym_mv(H, in, W1, in, 1, NULL, xd, zx);
        for (i = 0; i < T; i++) ax[i] = s1[i] * zx[i];
        nrxi_sym_mv(H, H, W2, H, 1, NULL, ax, yx);
        for (i = 0; i < T; i++) cx[i] = t1[i] * yx[i];
        nrxi_sym_mv(n, H, W3, H, 1, NULL, cx, Nd);
    }
    if (!back) {
        for (i = 0; i < n * P; i++) {
            s[i] += th[i % P] * N[i];
            if (dots) s[n * P + i] += th[i % P] * Nd[i] + td * dth[i % P] * N[i];
        }
        return;
    }
    {
        double *g = f->grad, *gb1 = g + H * in, *gW2 = gb1 + H, *gb2 = gW2 + H * H, *gW3 = gb2 + H,
            *gb3 = gW3 + n * H;
        const double *us[2], *xs[2];
        for (i = 0; i < n * P; i++) {
            Nb[i] = th[i % P] * back[i] + (dots ? td * dth[i % P] * back[n * P + i] : 0.0);
            Ndb[i] = dots ? th[i % P] * back[n * P + i] : 0.0;
        }
        us[0] = Nb; xs[0] = c; us[1] = Ndb; xs[1] = cx;
        nrxi_sym_outer(n, H, dots ? 2 : 1, us, xs, gW3);
        nrxi_sym_lane_sums(n, Nb, gb3);
        nrxi_sym_mv(H, n, W3, 1, H, NULL, Nb, bz);
        if (dots) nrxi_sym_mv(H, n, W3, 1, H, NULL, Ndb, bx);
        for (i = 0; i < T; i++) {
            z[i] = t1[i] * bz[i] + (dots ? t2[i] * yx[i] * bx[i] : 0.0);
            if (dots) yx[i] = t1[i] * bx[i];
        }
        us[0] = z; xs[0] = a; us[1] = yx; xs[1] = ax;
        nrxi_sym_outer(H, H, dots ? 2 : 1, us, xs, gW2);
        nrxi_sym_lane_sums(H, z, gb2);
        nrxi_sym_mv(H, H, W2, 1, H, NULL, z, bz);
        if (dots) nrxi_sym_mv(H, H, W2, 1, H, NULL, yx, bx);
        for (i = 0; i < T; i++) {
            b[i] = s1[i] * bz[i] + (dots ? s2[i] * zx[i] * bx[i] : 0.0);
            if (dots) bx[i] *= s1[i];
        }
        us[0] = b; xs[0] = x; us[1] = bx; xs[1] = xd;
        nrxi_sym_outer(H, in, dots ? 2 : 1, us, xs, g);
        nrxi_sym_lane_sums(H, b, gb1);
        nrxi_sym_mv(n, H, W1, 1, in, NULL, b, xb);
        for (i = 0; i < n * P; i++) back[i] += xb[i];
        if (dots) {
            nrxi_sym_mv(n, H, W1, 1, in, NULL, bx, xb);
            for (i = 0; i < n * P; i++) back[n * P + i] += xb[i];
        }
    }
}

/* ---- the whole flow on one tile ---- */

/* q1 = q2 = mean, p1 = -p2 = half difference on blocks of d/2 (physical limit of doubled variables);
   symmetric as a matrix */
NRXI_FN void nrxi_sym_project(const nrx_sym_flow *f, int dots, double *s)
{
    const size_t D = f->desc.d * NRXI_SYM_TILE, half = D / 2;
    size_t k;
    int part;
    if (!f->desc.project) return;
    for (part = 0; part <= dots; part++) {
        double *q = s + (size_t)part * 2 * D, *p = q + D;
        for (k = 0; k < half; k++) {
            const double m = 0.5 * (q[k] + q[half + k]), v = 0.5 * (p[k] - p[half + k]);
            q[k] = q[half + k] = m;
            p[k] = v; p[half + k] = -v;
        }
    }
}

/* Moves s = q, p [, dots] by psi_t; the states before each layer stay in f->state when `keep`. */
NRXI_FN nrx_status nrxi_sym_tile_forward(nrx_sym_flow *f, const double *t, double td, int dots, int keep,
    double *s)
{
    const size_t S = (size_t)(dots ? 4 : 2) * f->desc.d * NRXI_SYM_TILE,
        stride = 4 * f->desc.d * NRXI_SYM_TILE;
    size_t m;
    if (f->desc.kind == NRX_SYM_NET_GENERATING || f->desc.kind == NRX_SYM_NET_MLP) {
        if (keep) memcpy(f->state, s, S * sizeof *s);
        if (f->desc.kind == NRX_SYM_NET_GENERATING) return nrxi_sym_generate(f, 0, t, dots, td, s);
        nrxi_sym_mlp(f, t, td, dots, s, NULL);
        return NRX_OK;
    }
    for (m = 0; m < f->layers; m++) {
        if (keep) memcpy(f->state + m * stride, s, S * sizeof *s);
        nrxi_sym_layer_run(f, &f->layer[m], 1.0, t, td, dots, s, NULL);
    }
    nrxi_sym_project(f, dots, s);
    return NRX_OK;
}

/* bar: adjoints of the output (with dots also of its time derivative) become those of the input; needs the
   kept states. */
NRXI_FN nrx_status nrxi_sym_tile_back(nrx_sym_flow *f, const double *t, int dots, double *bar)
{
    const size_t stride = 4 * f->desc.d * NRXI_SYM_TILE;
    size_t m;
    if (f->desc.kind == NRX_SYM_NET_GENERATING) return nrxi_sym_generate_back(f, t, f->state, bar);
    if (f->desc.kind == NRX_SYM_NET_MLP) { nrxi_sym_mlp(f, t, 1.0, dots, f->state, bar); return NRX_OK; }
    nrxi_sym_project(f, dots, bar);
    for (m = f->layers; m-- > 0;) nrxi_sym_layer_back(f, &f->layer[m], t, dots, f->state + m * stride, bar);
    return NRX_OK;
}

/* Hhat [8] at s: the layers are undone from the last on; each adds the time derivative of its primitive at
   the point it sees. States after each undoing stay in f->state (the one before layer m at m + 1). */
NRXI_FN void nrxi_sym_tile_hamiltonian(nrx_sym_flow *f, const double *t, double *s, double *H)
{
    const size_t S = 2 * f->desc.d * NRXI_SYM_TILE, stride = 2 * S;
    const double h0 = tanh(f->value[f->h0]);
    size_t m, l;
    for (l = 0; l < NRXI_SYM_TILE; l++) H[l] = h0;
    for (m = f->layers; m-- > 0;) {
        memcpy(f->state + (m + 1) * stride, s, S * sizeof *s);
        nrxi_sym_layer_run(f, &f->layer[m], -1.0, t, 0.0, 0, s, H);
    }
}

/* bar [2d] = gradient of sum_l w_l Hhat_l at the point (it starts from 0); parameter gradients added if
   wanted. */
NRXI_FN void nrxi_sym_tile_hamiltonian_back(nrx_sym_flow *f, const double *t, const double *w, double *bar,
    int gradients)
{
    const size_t S = 2 * f->desc.d * NRXI_SYM_TILE, stride = 2 * S;
    const double h0 = tanh(f->value[f->h0]);
    size_t m, l;
    memset(bar, 0, S * sizeof *bar);
    for (m = 0; m < f->layers; m++)
        nrxi_sym_pot_layer_back(f, &f->layer[m], -1.0, t, 0, f->state + (m + 1) * stride, bar, w, gradients);
    if (gradients) for (l = 0; l < NRXI_SYM_TILE; l++) f->grad[f->h0] += w[l] * (1.0 - h0 * h0);
}

/* ---- public evaluation ---- */

NRXI_FN nrx_status nrxi_sym_flow_args(const nrx_sym_flow *f, size_t n, const double *t, const double *x,
    const double *y, const char *who)
{
    if (!f || ((!t || !x || !y) && n)) return nrxi_fail(f ? &f->desc.env : NULL, NRX_E_ARG,
        "%s: NULL argument", who);
    if (n && (!nrxi_all_finite(t, n, NRX_F64) || !nrxi_all_finite(x, n * 2 * f->desc.d, NRX_F64)))
        return nrxi_fail(&f->desc.env, NRX_E_ARG, "%s: times or states are not finite", who);
    return NRX_OK;
}

NRX_DEF nrx_status nrx_sym_flow_eval(nrx_sym_flow *flow, size_t n, const double *t, const double *x,
    double *y)
{
    return nrx_sym_flow_tangent(flow, n, t, x, NULL, y, NULL);
}

NRXI_FN nrx_status nrxi_sym_hnn_rows(nrx_sym_flow *f, size_t n, const double *t, const double *x,
    const double *v, double *y, double *w);

NRX_DEF nrx_status nrx_sym_flow_tangent(
    nrx_sym_flow *flow, size_t n, const double *t, const double *x, const double *v, double *y, double *w)
{
    size_t first, m;
    nrx_status status = nrxi_sym_flow_args(flow, n, t, x, y, "nrx_sym_flow_tangent");
    if (status != NRX_OK) return status;
    if (v && !w) return nrxi_fail(&flow->desc.env, NRX_E_ARG, "nrx_sym_flow_tangent: w is NULL");
    if (flow->desc.kind == NRX_SYM_NET_HNN) return nrxi_sym_hnn_rows(flow, n, t, x, v, y, w);
    m = 2 * flow->desc.d;
    for (first = 0; first < n && status == NRX_OK; first += NRXI_SYM_TILE) {
        double times[NRXI_SYM_TILE], *s = flow->bar;
        nrxi_sym_gather(n, 1, first, t, times);
        nrxi_sym_gather(n, m, first, x, s);
        if (v) nrxi_sym_gather(n, m, first, v, s + m * NRXI_SYM_TILE);
        status = nrxi_sym_tile_forward(flow, times, 0.0, v != NULL, 0, s);
        nrxi_sym_scatter(n, m, first, s, y);
        if (v) nrxi_sym_scatter(n, m, first, s + m * NRXI_SYM_TILE, w);
    }
    return status == NRX_OK ? status : nrxi_fail(&flow->desc.env, status,
        "nrx_sym_flow: the implicit map did not converge");
}

NRX_DEF nrx_status nrx_sym_flow_rate(nrx_sym_flow *flow, size_t n, const double *t, const double *x,
    double *y, double *ydot)
{
    size_t first, m;
    nrx_status status = nrxi_sym_flow_args(flow, n, t, x, y, "nrx_sym_flow_rate");
    if (status != NRX_OK) return status;
    if (!ydot) return nrxi_fail(&flow->desc.env, NRX_E_ARG, "nrx_sym_flow_rate: ydot is NULL");
    if (flow->desc.kind == NRX_SYM_NET_HNN || flow->desc.kind == NRX_SYM_NET_HENON)
        return nrxi_fail(&flow->desc.env, NRX_E_UNSUPPORTED,
            "nrx_sym_flow_rate: kind %d has no time derivative", flow->desc.kind);
    m = 2 * flow->desc.d;
    for (first = 0; first < n && status == NRX_OK; first += NRXI_SYM_TILE) {
        double times[NRXI_SYM_TILE], *s = flow->bar;
        nrxi_sym_gather(n, 1, first, t, times);
        nrxi_sym_gather(n, m, first, x, s);
        memset(s + m * NRXI_SYM_TILE, 0, m * NRXI_SYM_TILE * sizeof *s);
        status = nrxi_sym_tile_forward(flow, times, 1.0, 1, 0, s);
        nrxi_sym_scatter(n, m, first, s, y);
        nrxi_sym_scatter(n, m, first, s + m * NRXI_SYM_TILE, ydot);
    }
    return status == NRX_OK ? status : nrxi_fail(&flow->desc.env, status,
        "nrx_sym_flow_rate: the implicit map did not converge");
}

NRX_DEF nrx_status nrx_sym_flow_inverse(nrx_sym_flow *flow, size_t n, const double *t, const double *y,
    double *x)
{
    size_t first, m, i;
    nrx_status status = nrxi_sym_flow_args(flow, n, t, y, x, "nrx_sym_flow_inverse");
    if (status != NRX_OK) return status;
    if (flow->desc.kind == NRX_SYM_NET_MLP || flow->desc.project)
        return nrxi_fail(&flow->desc.env, NRX_E_UNSUPPORTED,
            "nrx_sym_flow_inverse: an MLP or a projected flow has no inverse");
    m = 2 * flow->desc.d;
    if (flow->desc.kind == NRX_SYM_NET_HNN) {                /* Gauss methods are symmetric */
        for (first = 0; first < n && status == NRX_OK; first++) {
            const double back = -t[first];
            status = nrxi_sym_hnn_rows(flow, 1, &back, y + first * m, NULL, x + first * m, NULL);
        }
        return status;
    }
    for (first = 0; first < n && status == NRX_OK; first += NRXI_SYM_TILE) {
        double times[NRXI_SYM_TILE], *s = flow->bar;
        nrxi_sym_gather(n, 1, first, t, times);
        nrxi_sym_gather(n, m, first, y, s);
        if (flow->desc.kind == NRX_SYM_NET_GENERATING) status = nrxi_sym_generate(flow, 1, times, 0, 0.0, s);
        for (i = flow->layers; i-- > 0;) nrxi_sym_layer_run(flow, &flow->layer[i], -1.0, times, 0.0, 0, s,
            NULL);
        nrxi_sym_scatter(n, m, first, s, x);
    }
    return status == NRX_OK ? status : nrxi_fail(&flow->desc.env, status,
        "nrx_sym_flow_inverse: the implicit map did not converge");
}

NRX_DEF nrx_status nrx_sym_flow_jacobian(nrx_sym_flow *flow, double t, const double *x, double *M)
{
    size_t m, i, j;
    nrx_status status = nrxi_sym_flow_args(flow, 1, &t, x, M, "nrx_sym_flow_jacobian");
    if (status != NRX_OK) return status;
    m = 2 * flow->desc.d;
    for (j = 0; j < m && status == NRX_OK; j++) {
        double *y = flow->lane, *v = y + m, *w = v + m;
        for (i = 0; i < m; i++) v[i] = i == j ? 1.0 : 0.0;
        status = nrx_sym_flow_tangent(flow, 1, &t, x, v, y, w);
        for (i = 0; i < m; i++) M[i * m + j] = w[i];
    }
    return status;
}

NRX_DEF nrx_status nrx_sym_flow_vjp(nrx_sym_flow *flow, size_t n, const double *t, const double *x,
    const double *u, double *xbar)
{
    size_t first, m, l, j;
    nrx_status status = nrxi_sym_flow_args(flow, n, t, x, u, "nrx_sym_flow_vjp");
    if (status != NRX_OK) return status;
    if (flow->desc.kind == NRX_SYM_NET_HNN)
        return nrxi_fail(&flow->desc.env, NRX_E_UNSUPPORTED, "nrx_sym_flow_vjp: train an HNN on derivatives");
    m = 2 * flow->desc.d;
    for (first = 0; first < n && status == NRX_OK; first += NRXI_SYM_TILE) {
        double times[NRXI_SYM_TILE], *s = flow->bar;
        nrxi_sym_gather(n, 1, first, t, times);
        nrxi_sym_gather(n, m, first, x, s);
        status = nrxi_sym_tile_forward(flow, times, 0.0, 0, 1, s);
        if (status != NRX_OK) break;
        nrxi_sym_gather(n, m, first, u, s);
        for (l = 0; l < NRXI_SYM_TILE; l++)
            if (first + l >= n) for (j = 0; j < m; j++) s[j * NRXI_SYM_TILE + l] = 0.0;
        status = nrxi_sym_tile_back(flow, times, 0, s);
        if (xbar) nrxi_sym_scatter(n, m, first, s, xbar);
    }
    return status == NRX_OK ? status : nrxi_fail(&flow->desc.env, status,
        "nrx_sym_flow_vjp: the implicit map did not converge");
}

NRX_DEF nrx_status nrx_sym_flow_advance(nrx_sym_flow *flow, double dt, double t, const double *x, double *y)
{
    double whole, k;
    nrx_status status = nrxi_sym_flow_args(flow, 1, &t, x, y, "nrx_sym_flow_advance");
    if (status != NRX_OK) return status;
    if (!nrxi_finite_f64(&dt) || dt <= 0.0 || t < 0.0 || t / dt > 1e15)
        return nrxi_fail(&flow->desc.env, NRX_E_ARG, "nrx_sym_flow_advance: dt %g, t %g", dt, t);
    if (x != y) memcpy(y, x, 2 * flow->desc.d * sizeof *y);
    whole = floor(t / dt);
    for (k = 0.0; k < whole && status == NRX_OK; k += 1.0) status = nrx_sym_flow_eval(flow, 1, &dt, y, y);
    t -= whole * dt;
    if (status == NRX_OK && t > 0.0) status = nrx_sym_flow_eval(flow, 1, &t, y, y);
    return status;
}

NRX_DEF nrx_status nrx_sym_flow_hamiltonian(nrx_sym_flow *flow, size_t n, const double *t, const double *x,
    double *H, double *grad)
{
    size_t first, m, l;
    nrx_status status = nrxi_sym_flow_args(flow, n, t, x, H, "nrx_sym_flow_hamiltonian");
    if (status != NRX_OK) return status;
    if (flow->desc.kind != NRX_SYM_NET_SYMPFLOW && flow->desc.kind != NRX_SYM_NET_HNN)
        return nrxi_fail(&flow->desc.env, NRX_E_UNSUPPORTED,
            "nrx_sym_flow_hamiltonian: kind %d has no closed Hamiltonian", flow->desc.kind);
    m = 2 * flow->desc.d;
    for (first = 0; first < n; first += NRXI_SYM_TILE) {
        double times[NRXI_SYM_TILE], value[NRXI_SYM_TILE], one[NRXI_SYM_TILE], *s = flow->bar;
        nrxi_sym_gather(n, 1, first, t, times);
        nrxi_sym_gather(n, m, first, x, s);
        if (flow->desc.kind == NRX_SYM_NET_HNN) {
            const nrxi_sym_pot pot = nrxi_sym_pot_of(flow, 0, m);
            nrxi_sym_gradient_of(&pot, s, NULL, s + m * NRXI_SYM_TILE, NULL, value);
            if (grad) nrxi_sym_scatter(n, m, first, s + m * NRXI_SYM_TILE, grad);
        } else {
            nrxi_sym_tile_hamiltonian(flow, times, s, value);
            for (l = 0; l < NRXI_SYM_TILE; l++) one[l] = 1.0;
            if (grad) {
                nrxi_sym_tile_hamiltonian_back(flow, times, one, s, 0);
                nrxi_sym_scatter(n, m, first, s, grad);
            }
        }
        nrxi_sym_scatter(n, 1, first, value, H);
    }
    return NRX_OK;
}

/* ---- HNN as a system ---- */

NRXI_FN void nrxi_sym_hnn_point(nrx_sym_flow *f, const double *q, const double *p, const double *v, double *g,
    double *gd, double *H)
{
    const size_t d = f->desc.d, P = NRXI_SYM_TILE;
    const nrxi_sym_pot pot = nrxi_sym_pot_of(f, 0, 2 * d);
    double *x = f->io, *xd = x + 2 * d * P, *gt = xd + 2 * d * P, *gdt = gt + 2 * d * P, value[NRXI_SYM_TILE];
    size_t j, l;
    for (j = 0; j < 2 * d; j++)
        for (l = 0; l < P; l++) {
            x[j * P + l] = j < d ? q[j] : p[j - d];
            xd[j * P + l] = v ? v[j] : 0.0;
        }
    nrxi_sym_gradient_of(&pot, x, v ? xd : NULL, gt, gdt, value);
    for (j = 0; j < 2 * d; j++) {
        if (g) g[j] = gt[j * P];
        if (gd) gd[j] = gdt[j * P];
    }
    if (H) *H = value[0];
}
NRXI_FN nrx_status nrxi_sym_hnn_dq(void *user, double t, const double *q, const double *p, double *g)
{
    nrx_sym_flow *f = (nrx_sym_flow *)user;
    (void)t;
    nrxi_sym_hnn_point(f, q, p, NULL, f->lane, NULL, NULL);
    memcpy(g, f->lane, f->desc.d * sizeof *g);
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_hnn_dp(void *user, double t, const double *q, const double *p, double *g)
{
    nrx_sym_flow *f = (nrx_sym_flow *)user;
    (void)t;
    nrxi_sym_hnn_point(f, q, p, NULL, f->lane, NULL, NULL);
    memcpy(g, f->lane + f->desc.d, f->desc.d * sizeof *g);
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_hnn_energy(void *user, double t, const double *q, const double *p, double *H)
{
    (void)t;
    nrxi_sym_hnn_point((nrx_sym_flow *)user, q, p, NULL, NULL, NULL, H);
    return NRX_OK;
}
NRXI_FN nrx_status nrxi_sym_hnn_hess(void *user, double t, const double *q, const double *p, const double *v,
    double *w)
{
    (void)t;
    nrxi_sym_hnn_point((nrx_sym_flow *)user, q, p, v, NULL, w, NULL);
    return NRX_OK;
}

NRX_DEF nrx_status nrx_sym_flow_system(nrx_sym_flow *flow, nrx_sym_system *system)
{
    if (!flow || !system) return nrxi_fail(NULL, NRX_E_ARG, "nrx_sym_flow_system: NULL argument");
    if (flow->desc.kind != NRX_SYM_NET_HNN)
        return nrxi_fail(&flow->desc.env, NRX_E_UNSUPPORTED,
            "nrx_sym_flow_system: kind %d is a map, not a Hamiltonian", flow->desc.kind);
    *system = nrxi_sym_make(flow->desc.d, NRX_SYM_GENERAL, nrxi_sym_hnn_dq, nrxi_sym_hnn_dp);
    system->energy = nrxi_sym_hnn_energy; system->hess = nrxi_sym_hnn_hess;
    system->user = flow;
    return NRX_OK;
}

/* Gauss 4 in steps of at most 0.1 */
NRXI_FN nrx_status nrxi_sym_hnn_rows(nrx_sym_flow *f, size_t n, const double *t, const double *x,
    const double *v, double *y, double *w)
{
    const size_t m = 2 * f->desc.d;
    nrx_sym_desc desc = NRX_ZERO;
    nrx_sym_system system;
    size_t i;
    nrx_status status = nrx_sym_flow_system(f, &system);
    desc.env = f->desc.env;
    for (i = 0; i < n && status == NRX_OK; i++) {
        const double steps = ceil(fabs(t[i]) / 0.1);
        if (x != y) memcpy(y + i * m, x + i * m, m * sizeof *y);
        if (v && v != w) memcpy(w + i * m, v + i * m, m * sizeof *w);
        if (v) { desc.tangents = 1; desc.tangent = w + i * m; }
        if (steps > 0.0) status = nrx_sym_integrate(&system, NRX_SYM_GAUSS4, y + i * m, t[i] / steps,
            (size_t)steps, &desc, NULL);
    }
    return status;
}

/* ---- the flow as a map ---- */

NRXI_FN nrx_status nrxi_sym_flow_map_apply(void *user, double h, const double *x, double *y)
{
    return nrx_sym_flow_eval((nrx_sym_flow *)user, 1, &h, x, y);
}
NRXI_FN nrx_status nrxi_sym_flow_map_tangent(void *user, double h, const double *x, size_t k, const double *v,
    double *w)
{
    nrx_sym_flow *f = (nrx_sym_flow *)user;
    const size_t m = 2 * f->desc.d;
    size_t i;
    nrx_status status = NRX_OK;
    for (i = 0; i < k && status == NRX_OK; i++) status = nrx_sym_flow_tangent(f, 1, &h, x, v + i * m, f->lane,
        w + i * m);
    return status;
}
NRX_DEF nrx_status nrx_sym_flow_map(nrx_sym_flow *flow, nrx_sym_map *map)
{
    if (!flow || !map) return nrxi_fail(NULL, NRX_E_ARG, "nrx_sym_flow_map: NULL argument");
    map->n = 2 * flow->desc.d;
    map->apply = nrxi_sym_flow_map_apply;
    map->tangent = nrxi_sym_flow_map_tangent;
    map->user = flow;
    return NRX_OK;
}

/* ---- losses ---- */

/* J grad H at one lane and, for the adjoint, z = H'' J^T r */
NRXI_FN nrx_status nrxi_sym_lane_field(nrx_sym_flow *f, const nrx_sym_system *sys, const double *tile,
    size_t l, double *z, double *field)
{
    const size_t m = 2 * f->desc.d;
    size_t j;
    for (j = 0; j < m; j++) z[j] = tile[j * NRXI_SYM_TILE + l];
    return nrxi_sym_field(sys, 0.0, z, field);
}

/* Residual of one tile: values added to *sum; adjoints into bar [4d] with factor c. */
NRXI_FN nrx_status nrxi_sym_tile_residual(nrx_sym_flow *f, const nrx_sym_system *sys, size_t lanes, double c,
    double *s, double *sum)
{
    const size_t d = f->desc.d, m = 2 * d, P = NRXI_SYM_TILE;
    double *z = f->lane, *r = z + m, *v = r + m, *w = v + m, *work = w + m;
    size_t l, j;
    for (l = 0; l < P; l++) {
        nrx_status status;
        if (l >= lanes) { for (j = 0; j < 2 * m; j++) s[j * P + l] = 0.0; continue; }
        status = nrxi_sym_lane_field(f, sys, s, l, z, r);
        if (status != NRX_OK) return status;
        for (j = 0; j < m; j++) { r[j] -= s[(m + j) * P + l]; *sum += r[j] * r[j]; }
        if (c == 0.0) continue;
        for (j = 0; j < d; j++) { v[j] = -r[d + j]; v[d + j] = r[j]; }
        status = nrxi_sym_hess_vec(sys, 0.0, z, v, w, work);
        if (status != NRX_OK) return status;
        for (j = 0; j < m; j++) { s[j * P + l] = 2.0 * c * w[j]; s[(m + j) * P + l] = -2.0 * c * r[j]; }
    }
    return NRX_OK;
}

NRX_DEF nrx_status nrx_sym_flow_loss_physics(nrx_sym_flow *flow, const nrx_sym_system *system, size_t n,
    const double *t, const double *x, const double weights[2], double *residual, double *matching)
{
    const double wr = weights ? weights[0] : 0.0, wm = weights ? weights[1] : 0.0;
    double sum_r = 0.0, sum_m = 0.0;
    size_t first, m, l, j;
    int mlp;
    nrx_status status = nrxi_sym_flow_args(flow, n, t, x, x, "nrx_sym_flow_loss_physics");
    if (status != NRX_OK) return status;
    if (!system || system->d != flow->desc.d || !system->dq || !system->energy)
        return nrxi_fail(&flow->desc.env, NRX_E_SHAPE,
            "nrx_sym_flow_loss_physics: system of %zu degrees of freedom with an energy expected",
                         flow->desc.d);
    mlp = flow->desc.kind == NRX_SYM_NET_MLP;
    if (flow->desc.kind != NRX_SYM_NET_SYMPFLOW && !mlp)
        return nrxi_fail(&flow->desc.env, NRX_E_UNSUPPORTED,
            "nrx_sym_flow_loss_physics: for SympFlow and MLP, not kind %d", flow->desc.kind);
    m = 2 * flow->desc.d;
    for (first = 0; first < n && status == NRX_OK; first += NRXI_SYM_TILE) {
        const size_t lanes = n - first < NRXI_SYM_TILE ? n - first : (size_t)NRXI_SYM_TILE;
        double times[NRXI_SYM_TILE], value[NRXI_SYM_TILE], e0, e1, *s = flow->bar, *z = flow->lane,
            *g = flow->lane + m;
        double extra[NRXI_SYM_TILE];
        nrxi_sym_gather(n, 1, first, t, times);
        nrxi_sym_gather(n, m, first, x, s);
        memset(s + m * NRXI_SYM_TILE, 0, m * NRXI_SYM_TILE * sizeof *s);
        status = nrxi_sym_tile_forward(flow, times, 1.0, 1, wr != 0.0 || wm != 0.0, s);
        if (status != NRX_OK) break;
        if (mlp) {     /* H(x) - H(psi) */
            for (l = 0; l < lanes && status == NRX_OK; l++) {
                for (j = 0; j < m; j++) z[j] = s[j * NRXI_SYM_TILE + l];
                status = nrx_sym_energy(system, 0.0, z, &e1);
                if (status == NRX_OK) status = nrx_sym_energy(system, 0.0, x + (first + l) * m, &e0);
                extra[l] = e1 - e0;
                sum_m += extra[l] * extra[l];
            }
        }
        if (mlp && wm != 0.0) memcpy(flow->io, s, m * NRXI_SYM_TILE * sizeof *s);
        if (status == NRX_OK)
            status = nrxi_sym_tile_residual(flow, system, lanes, wr / ((double)n * (double)m), s, &sum_r);
        if (status != NRX_OK) break;
        if (mlp && wm != 0.0) {
            const double *y = flow->io;
            for (l = 0; l < lanes && status == NRX_OK; l++) {
                for (j = 0; j < m; j++) z[j] = y[j * NRXI_SYM_TILE + l];
                status = nrxi_sym_call_dp(system, 0.0, z, z + m / 2, g + m / 2);
                if (status == NRX_OK) status = system->dq(system->user, 0.0, z, z + m / 2, g);
                for (j = 0; j < m; j++)
                    s[j * NRXI_SYM_TILE + l] = (wr != 0.0 ? s[j * NRXI_SYM_TILE + l] : 0.0) + 2.0 * wm /
                        (double)n * extra[l] * g[j];
                if (wr == 0.0) for (j = 0; j < m; j++) s[(m + j) * NRXI_SYM_TILE + l] = 0.0;
            }
        }
        if (status == NRX_OK && (wr != 0.0 || (mlp && wm != 0.0))) status = nrxi_sym_tile_back(flow, times, 1,
            s);
        if (!mlp && status == NRX_OK) {
            nrxi_sym_gather(n, m, first, x, s);
            nrxi_sym_tile_hamiltonian(flow, times, s, value);
            for (l = 0; l < NRXI_SYM_TILE; l++) {
                if (l >= lanes) { value[l] = 0.0; continue; }
                status = nrx_sym_energy(system, 0.0, x + (first + l) * m, &e0);
                if (status != NRX_OK) break;
                value[l] -= e0;
                sum_m += value[l] * value[l];
                value[l] *= 2.0 * wm / (double)n;
            }
            if (wm != 0.0 && status == NRX_OK) nrxi_sym_tile_hamiltonian_back(flow, times, value, s, 1);
        }
    }
    if (residual) *residual = n ? sum_r / ((double)n * (double)m) : 0.0;
    if (matching) *matching = n ? sum_m / (double)n : 0.0;
    return status == NRX_OK ? status : nrxi_fail(&flow->desc.env, status, "nrx_sym_flow_loss_physics: %s",
        nrx_status_string(status));
}

NRX_DEF nrx_status nrx_sym_flow_loss_data(nrx_sym_flow *flow, size_t n, const double *t, const double *x,
    const double *y, double weight, double *loss)
{
    double sum = 0.0, c;
    size_t first, m, d, l, j;
    int hnn;
    nrx_status status = nrxi_sym_flow_args(flow, n, t, x, y, "nrx_sym_flow_loss_data");
    if (status != NRX_OK) return status;
    d = flow->desc.d;
    m = 2 * d;
    hnn = flow->desc.kind == NRX_SYM_NET_HNN;
    c = n ? 2.0 * weight / ((double)n * (double)m) : 0.0;
    for (first = 0; first < n && status == NRX_OK; first += NRXI_SYM_TILE) {
        const size_t P = NRXI_SYM_TILE;
        double times[NRXI_SYM_TILE], *s = flow->bar, *x0 = s + m * P;
        nrxi_sym_gather(n, 1, first, t, times);
        nrxi_sym_gather(n, m, first, x, s);
        if (hnn) {
            nrxi_sym_pot pot = nrxi_sym_pot_of(flow, 0, m);
            double *g = flow->io, *r = g + m * P, *xb = r + m * P;
            memcpy(x0, s, m * P * sizeof *s);
            nrxi_sym_gradient_of(&pot, x0, NULL, g, NULL, NULL);
            for (j = 0; j < m; j++)
                for (l = 0; l < P; l++) {          /* J grad H - zdot; adjoint of grad H is J^T of it */
                    const double f = j < d ? g[(d + j) * P + l] : -g[(j - d) * P + l];
                    const double e = first + l < n ? f - y[(first + l) * m + j] : 0.0;
                    sum += e * e;
                    r[(j < d ? d + j : j - d) * P + l] = (j < d ? c : -c) * e;
                }
            pot.grad = flow->grad;
            if (c != 0.0) nrxi_sym_reverse_of(&pot, x0, NULL, r, NULL, xb, NULL);
            continue;
        }
        status = nrxi_sym_tile_forward(flow, times, 0.0, 0, c != 0.0, s);
        for (j = 0; j < m; j++)
            for (l = 0; l < P; l++) {
                const double e = first + l < n ? s[j * P + l] - y[(first + l) * m + j] : 0.0;
                sum += e * e;
                s[j * P + l] = c * e;
            }
        if (c != 0.0 && status == NRX_OK) status = nrxi_sym_tile_back(flow, times, 0, s);
    }
    if (loss) *loss = n ? sum / ((double)n * (double)m) : 0.0;
    return status == NRX_OK ? status : nrxi_fail(&flow->desc.env, status, "nrx_sym_flow_loss_data: %s",
        nrx_status_string(status));
}

NRX_DEF nrx_status nrx_sym_flow_energy_bound(nrx_sym_flow *flow, const nrx_sym_system *system, double dt,
    double T, size_t cells, const double *x, double *bound, double *error)
{
    static const double node[4] = { 0.06943184420297371239, 0.33000947820757186760, 0.66999052179242813240,
        0.93056815579702628761 };
    static const double weight[4] = { 0.17392742256872692869, 0.32607257743127307131, 0.32607257743127307131,
        0.17392742256872692869 };
    double *z, *y, *rate, *g, e0, e1, left = T, sum = 0.0;
    size_t m, c, j;
    int i;
    nrx_status status = nrxi_sym_flow_args(flow, 1, &T, x, x, "nrx_sym_flow_energy_bound");
    if (status != NRX_OK) return status;
    if (!system || system->d != flow->desc.d || !system->energy || !bound || !error ||
        !(dt > 0.0) || T < 0.0 ||
        cells == 0)
        return nrxi_fail(&flow->desc.env, NRX_E_ARG,
            "nrx_sym_flow_energy_bound: system, dt %g, T %g or cells %zu not usable", dt, T, cells);
    if (flow->desc.kind != NRX_SYM_NET_SYMPFLOW && flow->desc.kind != NRX_SYM_NET_MLP)
        return nrxi_fail(&flow->desc.env, NRX_E_UNSUPPORTED,
            "nrx_sym_flow_energy_bound: kind %d has no time derivative", flow->desc.kind);
    m = 2 * flow->desc.d;
    z = (double *)nrxi_alloc(&flow->desc.env, 4 * m, sizeof *z);
    if (!z) return nrxi_fail(&flow->desc.env, NRX_E_NOMEM, "nrx_sym_flow_energy_bound: no memory");
    y = z + m; rate = y + m; g = rate + m;
    memcpy(z, x, m * sizeof *z);
    status = nrx_sym_energy(system, 0.0, z, &e0);
    while (left > 0.0 && status == NRX_OK) {
        const double step = left < dt ? left : dt, cell = step / (double)cells;
        for (c = 0; c < cells && status == NRX_OK; c++)
            for (i = 0; i < 4 && status == NRX_OK; i++) {
                const double s = ((double)c + node[i]) * cell;
                double slope = 0.0;
                status = nrx_sym_flow_rate(flow, 1, &s, z, y, rate);
                if (status == NRX_OK) status = system->dq(system->user, s, y, y + m / 2, g);
                if (status == NRX_OK) status = nrxi_sym_call_dp(system, s, y, y + m / 2, g + m / 2);
                /* grad H . J grad Hhat; grad H . J grad H = 0 */
                for (j = 0; j < m; j++) slope += g[j] * rate[j];
                sum += cell * weight[i] * fabs(slope);
            }
        if (status == NRX_OK) status = nrx_sym_flow_eval(flow, 1, &step, z, z);
        left -= step;
        if (left < 1e-12 * T) left = 0.0;
    }
    if (status == NRX_OK) status = nrx_sym_energy(system, T, z, &e1);
    if (status == NRX_OK) { *bound = sum; *error = fabs(e1 - e0); }
    nrxi_free(&flow->desc.env, z);
    return status;
}

/* ---- training ---- */

NRXI_FN double nrxi_sym_rate_at(const nrx_sym_train_desc *c, double peak, size_t step, size_t steps)
{
    const double x = steps > 1 ? (double)step / (double)(steps - 1) : 1.0,
        end = c->lr_end > 0.0 ? c->lr_end : peak / 1000.0;
    switch (c->schedule) {
    case NRX_SYM_LR_CONSTANT: return peak;
    case NRX_SYM_LR_ONE_CYCLE:      /* Smith 2018: up by a cosine over 30 %, down to almost nothing */
        if (x < 0.3) return peak * (0.002 + 0.998 * 0.5 * (1.0 - cos(NRX_PI * x / 0.3)));
        return peak * (2e-7 + (1.0 - 2e-7) * 0.5 * (1.0 + cos(NRX_PI * (x - 0.3) / 0.7)));
    default: return end + (peak - end) * 0.5 * (1.0 + cos(NRX_PI * x));
    }
}

NRXI_FN void nrxi_sym_draw(const nrx_sym_train_desc *c, size_t m, size_t n, double t_low, double t_high,
    nrx_rng *rng, double *x, double *t)
{
    const double low = c->low == 0.0 && c->high == 0.0 ? -1.0 : c->low, high = c->low == 0.0 &&
        c->high == 0.0 ? 1.0 : c->high;
    size_t i, j;
    for (i = 0; i < n; i++) {
        if (c->sample) c->sample(c->sample_user, rng, x + i * m);
        else for (j = 0; j < m; j++) x[i * m + j] = low + (high - low) * nrx_rng_uniform(rng);
        t[i] = t_low + (t_high - t_low) * nrx_rng_uniform(rng);
    }
}

typedef struct nrxi_sym_trainer {
    nrx_sym_flow *flow;
    const nrx_sym_train_desc *c;
    size_t m, batch, tests, fixed;
    double dt, *x, *t, *y, *test_x, *test_t, *best;
    nrx_rng rng;
} nrxi_sym_trainer;

/* Loss and gradient of one fresh batch. */
NRXI_FN nrx_status nrxi_sym_train_batch(nrxi_sym_trainer *r, nrx_sym_train_info *info)
{
    const nrx_sym_train_desc *c = r->c;
    nrx_status status;
    size_t i;
    memset(r->flow->grad, 0, r->flow->count * sizeof(double));
    if (c->x) {
        for (i = 0; i < r->batch; i++) {
            const size_t row = (size_t)nrx_rng_below(&r->rng, c->rows);
            memcpy(r->x + i * r->m, c->x + row * r->m, r->m * sizeof(double));
            memcpy(r->y + i * r->m, c->y + row * r->m, r->m * sizeof(double));
            r->t[i] = c->t[row];
        }
        status = nrx_sym_flow_loss_data(r->flow, r->batch, r->t, r->x, r->y, 1.0, &info->loss);
    } else {
        double weights[2];
        weights[0] = 1.0; weights[1] = c->matching;
        nrxi_sym_draw(c, r->m, r->batch, -0.1, r->dt, &r->rng, r->x, r->t);
        status = nrx_sym_flow_loss_physics(r->flow, c->system, r->batch, r->t, r->x, weights, &info->residual,
            &info->matching);
        info->loss = info->residual + c->matching * info->matching;
    }
    if (status == NRX_OK && !nrxi_finite_f64(&info->loss)) status = NRX_E_NUMERIC;
    return status;
}

/* What decides which parameters are kept. */
NRXI_FN nrx_status nrxi_sym_train_test(nrxi_sym_trainer *r, double *value)
{
    const nrx_sym_train_desc *c = r->c;
    if (c->x) return nrx_sym_flow_loss_data(r->flow, c->rows, c->t, c->x, c->y, 0.0, value);
    return nrx_sym_flow_loss_physics(r->flow, c->system, r->tests, r->test_t, r->test_x, NULL, value, NULL);
}

NRXI_FN nrx_status nrxi_sym_train_loop(nrxi_sym_trainer *r, size_t steps, size_t total, nrx_adam *adam,
    double peak, nrx_sym_train_info *info)
{
    const size_t late = steps - (steps * 15 + 99) / 100, gap = 1 + (steps - late) / 60,
        bytes = r->flow->count * sizeof(double);
    const char *who = "nrx_sym_flow_train";
    size_t k;
    nrx_status status = NRX_OK;
    double value;
    memcpy(r->best, r->flow->value, bytes);
    info->test = HUGE_VAL;
    for (k = 0; k < steps && status == NRX_OK; k++) {
        status = nrxi_sym_train_batch(r, info);
        if (status != NRX_OK) break;
        adam->desc.lr = nrxi_sym_rate_at(r->c, peak, k, steps);
        status = nrxi_adam_step(who, adam);
        info->steps = k + 1;
        if (status == NRX_OK && k >= late && ((k - late) % gap == 0 || k + 1 == steps)) {
            status = nrxi_sym_train_test(r, &value);
            if (status == NRX_OK && value < info->test) {
                info->test = value;
                info->best_step = k + 1;
                memcpy(r->best, r->flow->value, bytes);
            }
        } else if (status == NRX_OK && k < late && (k & 63u) == 0) {
            memcpy(r->best, r->flow->value, bytes);      /* the last good ones, should it break down */
        }
        if (status == NRX_OK && nrxi_progress(&r->c->env, k + 1, total, info->loss)) status = NRX_E_CANCELLED;
    }
    if (status == NRX_OK || status == NRX_E_NUMERIC || info->best_step) memcpy(r->flow->value, r->best,
        bytes);
    if (info->best_step == 0 && nrxi_sym_train_test(r, &value) == NRX_OK) info->test = value;
    return status;
}

/* ---- refinement: L-BFGS (Nocedal 1980) with a bisection line search for the weak Wolfe conditions
   (Lewis, Overton 2013) ---- */

enum { NRXI_SYM_MEMORY = 100 };    /* pairs kept: nets this small gain from many */

/* Loss and gradient on the fixed points (or all data rows). */
NRXI_FN nrx_status nrxi_sym_fixed_loss(nrxi_sym_trainer *r, double *loss)
{
    const nrx_sym_train_desc *c = r->c;
    double weights[2], matching;
    nrx_status status;
    memset(r->flow->grad, 0, r->flow->count * sizeof(double));
    if (c->x) return nrx_sym_flow_loss_data(r->flow, c->rows, c->t, c->x, c->y, 1.0, loss);
    weights[0] = 1.0; weights[1] = c->matching;
    status = nrx_sym_flow_loss_physics(r->flow, c->system, r->fixed, r->t, r->x, weights, loss, &matching);
    *loss += c->matching * matching;
    return status;
}

typedef struct nrxi_sym_lbfgs {
    double *s, *y, *x0, *g0, *p, rho[NRXI_SYM_MEMORY], alpha[NRXI_SYM_MEMORY];
    size_t n, used, next;
} nrxi_sym_lbfgs;

/* p = -(inverse Hessian estimate) g by the two-loop recursion */
NRXI_FN void nrxi_sym_lbfgs_direction(nrxi_sym_lbfgs *b, const double *g)
{
    size_t i, k, j;
    for (j = 0; j < b->n; j++) b->p[j] = -g[j];
    for (i = 0; i < b->used; i++) {
        k = (b->next + NRXI_SYM_MEMORY - 1 - i) % NRXI_SYM_MEMORY;
        b->alpha[k] = b->rho[k] * nrxi_sym_dot(b->n, b->s + k * b->n, b->p);
        for (j = 0; j < b->n; j++) b->p[j] -= b->alpha[k] * b->y[k * b->n + j];
    }
    if (b->used) {
        const double *y;
        double scale;
        k = (b->next + NRXI_SYM_MEMORY - 1) % NRXI_SYM_MEMORY;
        y = b->y + k * b->n;
        scale = 1.0 / (b->rho[k] * nrxi_sym_dot(b->n, y, y));
        for (j = 0; j < b->n; j++) b->p[j] *= scale;
    }
    for (i = b->used; i-- > 0;) {
        double beta;
        k = (b->next + NRXI_SYM_MEMORY - 1 - i) % NRXI_SYM_MEMORY;
        beta = b->rho[k] * nrxi_sym_dot(b->n, b->y + k * b->n, b->p);
        for (j = 0; j < b->n; j++) b->p[j] += (b->alpha[k] - beta) * b->s[k * b->n + j];
    }
}

/* One iteration from loss *f with its gradient in flow->grad; *moved = 0 when no step helps. */
NRXI_FN nrx_status nrxi_sym_lbfgs_step(nrxi_sym_trainer *r, nrxi_sym_lbfgs *b, double *f, int *moved)
{
    double *v = r->flow->value, *g = r->flow->grad, slope, lo = 0.0, hi = HUGE_VAL, step, value = *f, sy;
    size_t j;
    int i;
    nrx_status status = NRX_OK;
    memcpy(b->x0, v, b->n * sizeof *v);
    memcpy(b->g0, g, b->n * sizeof *g);
    nrxi_sym_lbfgs_direction(b, g);
    slope = nrxi_sym_dot(b->n, b->p, g);
    if (!(slope < 0.0)) { b->used = 0; nrxi_sym_lbfgs_direction(b, g); slope = nrxi_sym_dot(b->n, b->p, g); }
    step = b->used ? 1.0 : 1e-3 / (1.0 + sqrt(-slope));
    *moved = 0;
    for (i = 0; i < 30; i++) {
        for (j = 0; j < b->n; j++) v[j] = b->x0[j] + step * b->p[j];
        status = nrxi_sym_fixed_loss(r, &value);
        if (status != NRX_OK && status != NRX_E_NUMERIC) break;
        if (status == NRX_E_NUMERIC || !nrxi_finite_f64(&value) || value > *f + 1e-4 * step * slope) hi =
            step;
        else if (nrxi_sym_dot(b->n, b->p, g) < 0.9 * slope) lo = step;
        else { *moved = 1; break; }
        status = NRX_OK;
        step = hi < HUGE_VAL ? 0.5 * (lo + hi) : 2.0 * lo;
    }
    if (!*moved) {
        memcpy(v, b->x0, b->n * sizeof *v);
        return status;
    }
    for (j = 0; j < b->n; j++) {
        b->s[b->next * b->n + j] = v[j] - b->x0[j];
        b->y[b->next * b->n + j] = g[j] - b->g0[j];
    }
    sy = nrxi_sym_dot(b->n, b->s + b->next * b->n, b->y + b->next * b->n);
    if (sy > 0.0) {
        b->rho[b->next] = 1.0 / sy;
        b->next = (b->next + 1) % NRXI_SYM_MEMORY;
        if (b->used < NRXI_SYM_MEMORY) b->used++;
    }
    *f = value;
    return status;
}

NRXI_FN nrx_status nrxi_sym_refine(nrxi_sym_trainer *r, size_t done, size_t total, nrx_sym_train_info *info)
{
    const size_t n = r->flow->count;
    nrxi_sym_lbfgs b;
    double *memory, loss = 0.0, value;
    size_t k, bytes = n * sizeof(double);
    int moved = 1;
    nrx_status status = NRX_OK;
    memset(&b, 0, sizeof b);
    if (!nrxi_mul_ok(n, 2 * NRXI_SYM_MEMORY + 3, &k)) return NRX_E_RANGE;
    memory = (double *)nrxi_alloc(&r->c->env, k, sizeof *memory);
    if (!memory) return NRX_E_NOMEM;
    b.n = n; b.s = memory; b.y = b.s + NRXI_SYM_MEMORY * n; b.x0 = b.y + NRXI_SYM_MEMORY * n; b.g0 = b.x0 + n;
        b.p = b.g0 + n;
    for (k = 0; k < r->c->refine && status == NRX_OK; k++) {
        const int fresh = k == 0 || !moved;      /* other points when no step helps any more */
        if (fresh) {
            if (!r->c->x) nrxi_sym_draw(r->c, r->m, r->fixed, -0.1, r->dt, &r->rng, r->x, r->t);
            else if (!moved) break;
            b.used = b.next = 0;
            status = nrxi_sym_fixed_loss(r, &loss);
            if (status != NRX_OK) break;
        }
        status = nrxi_sym_lbfgs_step(r, &b, &loss, &moved);
        info->loss = loss;
        info->steps = done + k + 1;
        if (status == NRX_OK && (k % 20 == 19 || k + 1 == r->c->refine)) {
            status = nrxi_sym_train_test(r, &value);
            if (status == NRX_OK && value < info->test) { info->test = value; info->best_step = info->steps;
                memcpy(r->best, r->flow->value, bytes); }
        }
        if (status == NRX_OK && nrxi_progress(&r->c->env, done + k + 1, total, loss)) status =
            NRX_E_CANCELLED;
    }
    nrxi_free(&r->c->env, memory);
    memcpy(r->flow->value, r->best, bytes);
    return status;
}

NRX_DEF nrx_status nrx_sym_flow_train(nrx_sym_flow *flow, const nrx_sym_train_desc *desc,
    nrx_sym_train_info *info)
{
    nrx_sym_train_info unseen;
    nrx_adam_desc ad = NRX_ZERO;
    nrx_adam adam;
    nrxi_sym_trainer r;
    double *memory, peak;
    size_t steps, m, total, points;
    nrx_status status;
    if (!info) info = &unseen;
    memset(info, 0, sizeof *info);
    if (!flow || !desc) return nrxi_fail(NULL, NRX_E_ARG, "nrx_sym_flow_train: NULL argument");
    m = 2 * flow->desc.d;
    if (desc->x ? !desc->t || !desc->y || !desc->rows : !desc->system)
        return nrxi_fail(&desc->env, NRX_E_ARG,
            "nrx_sym_flow_train: give a system, or data x, t, y with rows");
    if (!desc->x && desc->system->d != flow->desc.d)
        return nrxi_fail(&desc->env, NRX_E_SHAPE,
            "nrx_sym_flow_train: system of %zu degrees of freedom, flow of %zu", desc->system->d,
                         flow->desc.d);
    if (desc->lr < 0.0 || desc->dt < 0.0 || desc->matching < 0.0)
        return nrxi_fail(&desc->env, NRX_E_ARG, "nrx_sym_flow_train: lr %g, dt %g, matching %g", desc->lr,
            desc->dt, desc->matching);
    memset(&r, 0, sizeof r);
    r.flow = flow; r.c = desc; r.m = m;
    r.dt = desc->dt > 0.0 ? desc->dt : 1.0;
    r.batch = desc->batch ? desc->batch : desc->x ? 512 : 700;
    r.tests = desc->test_points ? desc->test_points : 1000;
    r.fixed = desc->refine && !desc->x ? (desc->refine_points ? desc->refine_points : 2000) : 0;
    steps = desc->steps ? desc->steps : 10000;
    peak = desc->lr > 0.0 ? desc->lr : 5e-3;
    if (!nrxi_mul_ok((r.batch > r.fixed ? r.batch : r.fixed) + r.tests, 2 * m + 1, &total) ||
        !nrxi_add_ok(total, flow->count, &total))
        return nrxi_fail(&desc->env, NRX_E_RANGE, "nrx_sym_flow_train: size overflow");
    memory = (double *)nrxi_alloc(&desc->env, total, sizeof *memory);
    if (!memory) return nrxi_fail(&desc->env, NRX_E_NOMEM, "nrx_sym_flow_train: no memory");
    points = r.batch > r.fixed ? r.batch : r.fixed;
    r.x = memory; r.y = r.x + points * m; r.t = r.y + points * m;
    r.test_x = r.t + points; r.test_t = r.test_x + r.tests * m; r.best = r.test_t + r.tests;
    nrx_rng_seed(&r.rng, desc->seed, 1);
    nrxi_sym_draw(desc, m, r.tests, -0.1, 0.9 * r.dt, &r.rng, r.test_x, r.test_t);
    nrx_rng_seed(&r.rng, desc->seed, 2);
    ad.lr = peak;
    ad.clip_norm = desc->clip < 0.0 ? 0.0 : desc->clip == 0.0 ? 1.0 : desc->clip;
    ad.env = desc->env;
    ad.env.progress = NULL;
    status = nrxi_adam_init("nrx_sym_flow_train", &adam, flow->list, flow->blocks, &ad);
    if (status == NRX_OK) {
        status = nrxi_sym_train_loop(&r, steps, steps + desc->refine, &adam, peak, info);
        nrxi_adam_drop(&adam);
        if (status == NRX_OK && desc->refine) status = nrxi_sym_refine(&r, steps, steps + desc->refine, info);
        if (!desc->x)
            (void)nrx_sym_flow_loss_physics(
                flow, desc->system, r.tests, r.test_t, r.test_x, NULL, NULL, &info->test_matching);
    }
    nrxi_free(&desc->env, memory);
    if (status != NRX_OK) return nrxi_fail(&desc->env, status,
        "nrx_sym_flow_train: stopped after %zu steps: %s", info->steps, nrx_status_string(status));
    return NRX_OK;
}

/* ---- files: .safetensors ---- */

NRXI_FN void nrxi_sym_put(unsigned char *bytes, size_t *at, const char *text)
{
    const size_t n = strlen(text);
    if (bytes) memcpy(bytes + *at, text, n);
    *at += n;
}
NRXI_FN void nrxi_sym_put_number(unsigned char *bytes, size_t *at, size_t v)
{
    char text[32];
    *nrxi_sym_digits(text, v) = 0;
    nrxi_sym_put(bytes, at, text);
}
NRXI_FN void nrxi_sym_put_u64(unsigned char *p, uint64_t v)
{
    int i;
    for (i = 0; i < 8; i++) p[i] = (unsigned char)(v >> (8 * i));
}
NRXI_FN uint64_t nrxi_sym_get_u64(const unsigned char *p, int n)
{
    uint64_t v = 0;
    int i;
    for (i = n; i-- > 0;) v = (v << 8) | p[i];
    return v;
}

enum { NRXI_SYM_META = 7 };
NRXI_FN const char *nrxi_sym_meta_name(int i)
{
    static const char name[NRXI_SYM_META][12] = { "d", "kind", "layers", "width", "sublayers", "activation",
        "project" };
    return name[i];
}
NRXI_FN size_t nrxi_sym_meta_get(const nrx_sym_flow_desc *c, int i)
{
    switch (i) {
    case 0: return c->d;
    case 1: return (size_t)c->kind;
    case 2: return c->layers;
    case 3: return c->width;
    case 4: return c->sublayers;
    case 5: return (size_t)c->activation;
    default: return (size_t)c->project;
    }
}
NRXI_FN void nrxi_sym_meta_set(nrx_sym_flow_desc *c, int i, size_t v)
{
    const int small = v < 1000000u ? (int)v : 1000000;
    switch (i) {
    case 0: c->d = v; break;
    case 1: c->kind = small; break;
    case 2: c->layers = v; break;
    case 3: c->width = v; break;
    case 4: c->sublayers = v; break;
    case 5: c->activation = small; break;
    default: c->project = small; break;
    }
}

/* The JSON header; with bytes NULL only its length. */
NRXI_FN size_t nrxi_sym_header(const nrx_sym_flow *f, unsigned char *bytes)
{
    size_t at = 0, b, offset = 0;
    int i;
    nrxi_sym_put(bytes, &at, "{\"__metadata__\":{\"format\":\"nrx_sym_flow\"");
    for (i = 0; i < NRXI_SYM_META; i++) {
        nrxi_sym_put(bytes, &at, ",\"");
        nrxi_sym_put(bytes, &at, nrxi_sym_meta_name(i));
        nrxi_sym_put(bytes, &at, "\":\"");
        nrxi_sym_put_number(bytes, &at, nrxi_sym_meta_get(&f->desc, i));
        nrxi_sym_put(bytes, &at, "\"");
    }
    nrxi_sym_put(bytes, &at, "}");
    for (b = 0; b < f->blocks; b++) {
        const nrx_param *p = &f->list[b];
        nrxi_sym_put(bytes, &at, ",\"");
        nrxi_sym_put(bytes, &at, p->name);
        nrxi_sym_put(bytes, &at, "\":{\"dtype\":\"F64\",\"shape\":[");
        if (p->rows > 1 || p->name[strlen(p->name) - 1] == 't') { nrxi_sym_put_number(bytes, &at, p->rows);
            nrxi_sym_put(bytes, &at, ","); }
        nrxi_sym_put_number(bytes, &at, p->cols);
        nrxi_sym_put(bytes, &at, "],\"data_offsets\":[");
        nrxi_sym_put_number(bytes, &at, offset);
        offset += p->rows * p->cols * 8;
        nrxi_sym_put(bytes, &at, ",");
        nrxi_sym_put_number(bytes, &at, offset);
        nrxi_sym_put(bytes, &at, "]}");
    }
    nrxi_sym_put(bytes, &at, "}");
    while (at % 8) nrxi_sym_put(bytes, &at, " ");
    return at;
}

NRX_DEF nrx_status nrx_sym_flow_save_memory(const nrx_sym_flow *flow, unsigned char **bytes, size_t *size)
{
    size_t header, i;
    unsigned char *p;
    if (!flow || !bytes || !size) return nrxi_fail(NULL, NRX_E_ARG, "nrx_sym_flow_save: NULL argument");
    *bytes = NULL;
    header = nrxi_sym_header(flow, NULL);
    *size = 8 + header + flow->count * 8;
    p = (unsigned char *)nrxi_alloc(&flow->desc.env, *size, 1);
    if (!p) return nrxi_fail(&flow->desc.env, NRX_E_NOMEM, "nrx_sym_flow_save: no memory for %zu bytes",
        *size);
    nrxi_sym_put_u64(p, header);
    (void)nrxi_sym_header(flow, p + 8);
    for (i = 0; i < flow->count; i++) {
        uint64_t u;
        memcpy(&u, &flow->value[i], 8);
        nrxi_sym_put_u64(p + 8 + header + 8 * i, u);
    }
    *bytes = p;
    return NRX_OK;
}

NRX_DEF void nrx_sym_bytes_free(const nrx_sym_flow *flow, unsigned char *bytes) { nrxi_free(flow ?
    &flow->desc.env : NULL, bytes); }

/* A reader of the JSON that safetensors allow; every step checks the end. `bad` sticks. */
typedef struct nrxi_sym_json { const unsigned char *at, *end; int bad; } nrxi_sym_json;

NRXI_FN int nrxi_sym_json_peek(nrxi_sym_json *j)
{
    while (j->at < j->end && (*j->at == ' ' || *j->at == '\n' || *j->at == '\t' || *j->at == '\r')) j->at++;
    if (j->at >= j->end) { j->bad = 1; return 0; }
    return *j->at;
}
NRXI_FN int nrxi_sym_json_take(nrxi_sym_json *j, int c)
{
    if (nrxi_sym_json_peek(j) != c || j->bad) return 0;
    j->at++;
    return 1;
}
NRXI_FN void nrxi_sym_json_want(nrxi_sym_json *j, int c) { if (!nrxi_sym_json_take(j, c)) j->bad = 1; }

/* A string without its quotes; longer ones are cut in `text` but read to their end. */
NRXI_FN void nrxi_sym_json_string(nrxi_sym_json *j, char *text, size_t room)
{
    size_t n = 0;
    nrxi_sym_json_want(j, '"');
    while (!j->bad && j->at < j->end && *j->at != '"') {
        if (*j->at == '\\') j->at++;
        if (j->at >= j->end) break;
        if (n + 1 < room) text[n++] = (char)*j->at;
        j->at++;
    }
    text[n] = 0;
    if (j->bad || j->at >= j->end) { j->bad = 1; return; }
    j->at++;
}
NRXI_FN size_t nrxi_sym_json_number(nrxi_sym_json *j)
{
    size_t v = 0;
    int digits = 0;
    (void)nrxi_sym_json_peek(j);
    while (!j->bad && j->at < j->end && *j->at >= '0' && *j->at <= '9') {
        if (v > ((size_t)-1 - 9) / 10) { j->bad = 1; return 0; }
        v = 10 * v + (size_t)(*j->at++ - '0');
        digits++;
    }
    if (!digits) j->bad = 1;
    return v;
}

typedef struct nrxi_sym_entry { char name[NRXI_SYM_NAME], dtype[8]; size_t count, begin, end;
    } nrxi_sym_entry;

/* {"dtype": "F64", "shape": [..], "data_offsets": [a, b]} in any order */
NRXI_FN void nrxi_sym_json_entry(nrxi_sym_json *j, nrxi_sym_entry *e)
{
    char key[20];
    int seen = 0;
    nrxi_sym_json_want(j, '{');
    while (!j->bad) {
        nrxi_sym_json_string(j, key, sizeof key);
        nrxi_sym_json_want(j, ':');
        if (strcmp(key, "dtype") == 0) {
            nrxi_sym_json_string(j, e->dtype, sizeof e->dtype);
            seen |= 1;
        } else if (strcmp(key, "shape") == 0) {
            e->count = 1;
            nrxi_sym_json_want(j, '[');
            if (!nrxi_sym_json_take(j, ']')) {
                do { if (!nrxi_mul_ok(e->count, nrxi_sym_json_number(j), &e->count)) j->bad = 1;
                    } while (!j->bad && nrxi_sym_json_take(j, ','));
                nrxi_sym_json_want(j, ']');
            }
            seen |= 2;
        } else if (strcmp(key, "data_offsets") == 0) {
            nrxi_sym_json_want(j, '[');
            e->begin = nrxi_sym_json_number(j);
            nrxi_sym_json_want(j, ',');
            e->end = nrxi_sym_json_number(j);
            nrxi_sym_json_want(j, ']');
            seen |= 4;
        } else {
            j->bad = 1;
        }
        if (!nrxi_sym_json_take(j, ',')) break;
    }
    nrxi_sym_json_want(j, '}');
    if (seen != 7) j->bad = 1;
}

/* __metadata__: strings only; the numbers of our descriptor are picked out. found: bit per field. */
NRXI_FN void nrxi_sym_json_meta(nrxi_sym_json *j, nrx_sym_flow_desc *desc, int *found)
{
    char key[20], text[24];
    int i;
    nrxi_sym_json_want(j, '{');
    if (nrxi_sym_json_take(j, '}')) return;
    do {
        nrxi_sym_json_string(j, key, sizeof key);
        nrxi_sym_json_want(j, ':');
        nrxi_sym_json_string(j, text, sizeof text);
        for (i = 0; i < NRXI_SYM_META && !j->bad; i++)
            if (strcmp(key, nrxi_sym_meta_name(i)) == 0) {
                nrxi_sym_json number;
                number.at = (const unsigned char *)text; number.end = number.at + strlen(text);
                    number.bad = 0;
                nrxi_sym_meta_set(desc, i, nrxi_sym_json_number(&number));
                if (number.bad) j->bad = 1;
                *found |= 1 << i;
            }
    } while (!j->bad && nrxi_sym_json_take(j, ','));
    nrxi_sym_json_want(j, '}');
}

/* Copies one tensor into its block: 0 = no such block, -1 = it does not fit. */
NRXI_FN int nrxi_sym_fill_block(nrx_sym_flow *f, const nrxi_sym_entry *e, const unsigned char *data,
    size_t size)
{
    const size_t width = strcmp(e->dtype, "F64") == 0 ? 8 : strcmp(e->dtype, "F32") == 0 ? 4 : 0;
    size_t b, i, bytes;
    for (b = 0; b < f->blocks; b++) if (strcmp(f->list[b].name, e->name) == 0) break;
    if (b == f->blocks) return 0;
    if (!width || e->count != f->list[b].rows * f->list[b].cols ||
        !nrxi_mul_ok(e->count, width, &bytes)) return -1;
    if (e->begin > e->end || e->end > size || e->end - e->begin != bytes) return -1;
    for (i = 0; i < e->count; i++) {
        double *v = (double *)f->list[b].value + i;
        const uint64_t u = nrxi_sym_get_u64(data + e->begin + i * width, (int)width);
        if (width == 8) memcpy(v, &u, 8);
        else { const uint32_t w = (uint32_t)u; float x; memcpy(&x, &w, 4); *v = (double)x; }
        if (!nrxi_finite_f64(v)) return -1;
    }
    return 1;
}

/* Walks the header: with flow NULL it only reads the metadata, else it fills the blocks and counts them. */
NRXI_FN nrx_status nrxi_sym_walk(const unsigned char *bytes, size_t size, nrx_sym_flow_desc *desc, int *found,
    nrx_sym_flow *flow, size_t *filled)
{
    nrxi_sym_json j;
    size_t header;
    if (size < 8 || nrxi_sym_get_u64(bytes, 8) > size - 8) return NRX_E_FORMAT;
    header = (size_t)nrxi_sym_get_u64(bytes, 8);
    j.at = bytes + 8; j.end = j.at + header; j.bad = 0;
    nrxi_sym_json_want(&j, '{');
    if (nrxi_sym_json_take(&j, '}')) return NRX_OK;
    do {
        nrxi_sym_entry e;
        memset(&e, 0, sizeof e);
        nrxi_sym_json_string(&j, e.name, sizeof e.name);
        nrxi_sym_json_want(&j, ':');
        if (!j.bad && strcmp(e.name, "__metadata__") == 0) nrxi_sym_json_meta(&j, desc, found);
        else nrxi_sym_json_entry(&j, &e);
        if (!j.bad && flow && strcmp(e.name, "__metadata__") != 0) {
            const int hit = nrxi_sym_fill_block(flow, &e, bytes + 8 + header, size - 8 - header);
            if (hit < 0) return NRX_E_FORMAT;
            *filled += (size_t)hit;
        }
    } while (!j.bad && nrxi_sym_json_take(&j, ','));
    nrxi_sym_json_want(&j, '}');
    return j.bad ? NRX_E_FORMAT : NRX_OK;
}

NRX_DEF nrx_status nrx_sym_flow_load_memory(const unsigned char *bytes, size_t size,
    const nrx_sym_flow_desc *desc, nrx_sym_flow **flow)
{
    const char *who = "nrx_sym_flow_load";
    nrx_sym_flow_desc use = NRX_ZERO, ignored = NRX_ZERO;
    nrx_sym_flow *f = NULL;
    size_t filled = 0;
    int found = 0;
    nrx_status status;
    if (flow) *flow = NULL;
    if (!bytes || !flow) return nrxi_fail(desc ? &desc->env : NULL, NRX_E_ARG, "%s: NULL argument", who);
    status = nrxi_sym_walk(bytes, size, &use, &found, NULL, NULL);
    if (status != NRX_OK) return nrxi_fail(desc ? &desc->env : NULL, status,
        "%s: no valid safetensors header", who);
    if (desc) use = *desc;
    else if (found != (1 << NRXI_SYM_META) - 1)
        return nrxi_fail(NULL, NRX_E_FORMAT,
            "%s: the file does not say what network it is; give a descriptor", who);
    /* a network whose parameters cannot be in the file is not even built */
    if (use.d > size || use.width > size || use.layers > size || use.sublayers > size)
        return nrxi_fail(&use.env, NRX_E_FORMAT, "%s: the file is too small for the network it names", who);
    status = nrx_sym_flow_create(&use, &f);
    if (status != NRX_OK) return desc ? status : NRX_E_FORMAT;
    status = f->count > size / 4 ? NRX_E_FORMAT : nrxi_sym_walk(bytes, size, &ignored, &found, f, &filled);
    if (status == NRX_OK && filled != f->blocks) status = NRX_E_FORMAT;
    if (status != NRX_OK) {
        status = nrxi_fail(&use.env, status, "%s: %zu of %zu tensors fit the network", who, filled,
            f->blocks);
        nrx_sym_flow_destroy(f);
        return status;
    }
    *flow = f;
    return NRX_OK;
}

#if !defined(NRX_NO_STDIO)
NRX_DEF nrx_status nrx_sym_flow_save(const nrx_sym_flow *flow, const char *path)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    FILE *file;
    int ok;
    nrx_status status;
    if (!path) return nrxi_fail(NULL, NRX_E_ARG, "nrx_sym_flow_save: path is NULL");
    status = nrx_sym_flow_save_memory(flow, &bytes, &size);
    if (status != NRX_OK) return status;
    file = fopen(path, "wb");
    ok = file && fwrite(bytes, 1, size, file) == size;
    if (file && fclose(file) != 0) ok = 0;
    nrx_sym_bytes_free(flow, bytes);
    return ok ? NRX_OK : nrxi_fail(&flow->desc.env, NRX_E_IO, "nrx_sym_flow_save: cannot write %s", path);
}

NRX_DEF nrx_status nrx_sym_flow_load(const char *path, const nrx_sym_flow_desc *desc, nrx_sym_flow **flow)
{
    const nrx_env *env = desc ? &desc->env : NULL;
    unsigned char *bytes = NULL;
    FILE *file;
    long size = -1;
    nrx_status status = NRX_E_IO;
    if (flow) *flow = NULL;
    if (!path || !flow) return nrxi_fail(env, NRX_E_ARG, "nrx_sym_flow_load: NULL argument");
    file = fopen(path, "rb");
    if (file && fseek(file, 0, SEEK_END) == 0) size = ftell(file);
    if (size >= 0 && fseek(file, 0, SEEK_SET) == 0) {
        bytes = (unsigned char *)nrxi_alloc(env, (size_t)size + 1, 1);
        status = bytes && fread(bytes, 1, (size_t)size, file) == (size_t)size ? NRX_OK : bytes ? NRX_E_IO :
            NRX_E_NOMEM;
    }
    if (file) (void)fclose(file);
    if (status == NRX_OK) status = nrx_sym_flow_load_memory(bytes, (size_t)size, desc, flow);
    else status = nrxi_fail(env, status, "nrx_sym_flow_load: cannot read %s", path);
    nrxi_free(env, bytes);
    return status;
}
#endif

NRXI_IMPL_END
#endif /* NRX_SYMPLECTIC_IMPL_DONE_ */

/* Recent history 0.1.0  first version
    Licence This is free and unencumbered software released into the public domain (Unlicense), or, at your
   choice, under MIT-0: anyone may use, copy, modify, publish and sell it for any purpose, without
   conditions. It comes without warranty of any kind.
 */
