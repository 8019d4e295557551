/* Benchmarks of nrx_optim.h: optimizer steps on a million parameters, matrix functions, TV denoising.
   SPDX-License-Identifier: MIT-0 OR Unlicense */
#include "bench.h"
#define NRX_OPTIM_IMPLEMENTATION
#include "nrx_optim.h"

enum { N = 1000000 };
static float w[1048576], g[1048576];

static void steps(const char *name, int kind, double momentum)
{
    nrx_param p = NRX_ZERO;
    nrx_opt o;
    nrx_opt_desc d = NRX_ZERO;
    p.value = w; p.grad = g; p.rows = p.cols = 1000; p.dtype = NRX_F32;
    d.kind = kind; d.lr = 1e-3; d.momentum = momentum; d.weight_decay = kind == NRX_OPT_ADAMW ? 0.01 : 0;
    if (nrx_opt_init(&o, &p, 1, &d) != NRX_OK) return;
    BENCH(name, nrx_opt_step(&o));
    nrx_opt_drop(&o);
}

int main(int argc, char **argv)
{
    static double a[512 * 512], u[512 * 512];
    nrx_rng r;
    size_t i;
    nrx_opt_polar_info info;
    nrx_solve_desc tv = NRX_ZERO;
    BENCH_MAIN(argc, argv);
    nrx_rng_seed(&r, 1, 0);
    for (i = 0; i < 1048576; i++) { w[i] = (float)nrx_rng_normal(&r); g[i] = (float)nrx_rng_normal(&r); }
    for (i = 0; i < 512 * 512; i++) a[i] = nrx_rng_normal(&r);
    steps("sgd_momentum_1M", NRX_OPT_SGD, 0.9);
    steps("adamw_1M", NRX_OPT_ADAMW, 0);
    BENCH("muon_ns5_256", nrx_opt_newton_schulz(NRX_F32, 256, 256, g, w, NULL));
    BENCH("muon_ns5_1024", nrx_opt_newton_schulz(NRX_F32, 1024, 1024, g, w, NULL));
    if (bench_wanted("qdwh_512")) { /* with and without the last step, the polish, beside the product they are measured by */
        double *work = (double *)malloc(sizeof(double) * (nrxi_gemm_work_f64(512, 512, 512) + 1)), *c = (double *)malloc(sizeof(double) * 512 * 512);
        nrx_opt_polar_desc plain = NRX_ZERO;
        nrx_opt_polar_info rough;
        plain.no_polish = 1;
        if (nrx_opt_polar(NRX_F64, 512, 512, a, u, NULL, NULL, &info) != NRX_OK) return 1;
        if (nrx_opt_polar(NRX_F64, 512, 512, a, u, NULL, &plain, &rough) != NRX_OK) return 1;
        printf("# qdwh_512: %d iterations, %d by QR, and the polish; without it %d, %d by QR\n", (int)info.iterations, (int)info.qr_steps,
               (int)rough.iterations, (int)rough.qr_steps);
        BENCH("qdwh_512_gemm", nrxi_gemm_f64(0, 0, 512, 512, 512, 1, a, 512, u, 512, 0, c, 512, work, NULL));
        BENCH("qdwh_512", nrx_opt_polar(NRX_F64, 512, 512, a, u, NULL, NULL, &info));
        BENCH("qdwh_512_no_polish", nrx_opt_polar(NRX_F64, 512, 512, a, u, NULL, &plain, &rough));
        plain.no_polish = 0; plain.lower = 1e-16;
        if (nrx_opt_polar(NRX_F64, 512, 512, a, u, NULL, &plain, &rough) != NRX_OK) return 1;
        printf("# qdwh_512_hard, as for a condition of 1e16: %d iterations, %d by QR, and the polish\n", (int)rough.iterations, (int)rough.qr_steps);
        BENCH("qdwh_512_hard", nrx_opt_polar(NRX_F64, 512, 512, a, u, NULL, &plain, &rough));
        free(work);
        free(c);
    }
    tv.max_iter = 100; tv.tol = -1; tv.check_every = 1000;
    BENCH("tv_fista_1024_100it", nrx_opt_tv_denoise(NRX_F32, 1024, 1024, g, 0.1, w, &tv, NULL));
    tv.method = NRX_SOLVE_GRADIENT;
    BENCH("tv_pdhg_1024_100it", nrx_opt_tv_denoise(NRX_F32, 1024, 1024, g, 0.1, w, &tv, NULL));
    return 0;
}
