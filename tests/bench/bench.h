/* bench.h - prints "name seconds": the best of several runs
   SPDX-License-Identifier: MIT-0 OR Unlicense

   BENCH("gemm_f32_256", nrx_gemm_f32(...));   runs the statement for at least 0.3 s and 5 times
   A program takes names on its command line and then runs only the benchmarks whose name starts with one of them. */
#ifndef NRX_BENCH_H
#define NRX_BENCH_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int bench_argc;
static char **bench_argv;
#define BENCH_MAIN(argc, argv) (bench_argc = (argc), bench_argv = (argv))

static double bench_now(void)
{
#ifdef TIME_UTC
    struct timespec t;
    if (timespec_get(&t, TIME_UTC) == TIME_UTC) return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
#endif
    return (double)clock() / CLOCKS_PER_SEC;
}

static int bench_wanted(const char *name)
{
    int i;
    for (i = 1; i < bench_argc; i++) if (strncmp(name, bench_argv[i], strlen(bench_argv[i])) == 0) return 1;
    return bench_argc < 2;
}

/* Short statements are repeated inside one measurement until it lasts a millisecond. */
#define BENCH(name, statement)                                                             \
    do {                                                                                   \
        if (bench_wanted(name)) {                                                          \
            double best_ = 1e300, begin_ = bench_now(), t_;                                \
            long inner_ = 1, i_, runs_ = 0;                                                \
            for (;;) {                                                                     \
                t_ = bench_now();                                                          \
                for (i_ = 0; i_ < inner_; i_++) { statement; }                             \
                t_ = bench_now() - t_;                                                     \
                if (t_ < 1e-3 && inner_ < 1000000) { inner_ *= t_ < 1e-4 ? 10 : 2; continue; } \
                if (t_ / (double)inner_ < best_) best_ = t_ / (double)inner_;              \
                if (++runs_ >= 5 && bench_now() - begin_ > 0.3) break;                     \
                if (bench_now() - begin_ > 20) break;                                      \
            }                                                                              \
            printf("%s %.4g\n", name, best_);                                              \
            fflush(stdout);                                                                \
        }                                                                                  \
    } while (0)

#endif
