/* SPDX-License-Identifier: MIT-0 OR Unlicense
   Fourier transforms and dense linear algebra: the workloads of a user of PyTorch, and some neighbours. */
#include "bench.h"
#define NRX_TENSOR_IMPLEMENTATION
#include "nrx_tensor.h"

static void *numbers(int dtype, size_t n)
{
    nrx_rng r;
    void *p = malloc(n * 8 + 64);
    size_t i;
    nrx_rng_seed(&r, 1, 0);
    for (i = 0; i < n; i++) {
        if (dtype == NRX_F32) ((float *)p)[i] = (float)nrx_rng_normal(&r);
        else ((double *)p)[i] = nrx_rng_normal(&r);
    }
    return p;
}

/* Planned transform of an h x w array (h = 1: one axis), out of place. */
static void transform(const char *name, int dtype, int real, size_t h, size_t w)
{
    nrx_fft_desc d = NRX_ZERO;
    nrx_fft *plan;
    void *x, *y, *work;
    if (!bench_wanted(name)) return;
    d.dtype = dtype;
    d.real = real;
    d.ndim = h > 1 ? 2 : 1;
    d.shape[0] = h > 1 ? h : w;
    d.shape[1] = h > 1 ? w : 0;
    if (nrx_fft_create(&plan, &d) != NRX_OK) return;
    x = numbers(dtype, 2 * h * w);
    y = numbers(dtype, 2 * h * w + 2 * h);
    work = malloc(nrx_fft_workspace_size(plan) + 64);
    BENCH(name, (void)nrx_fft_forward(plan, x, y, work));
    nrx_fft_destroy(plan);
    free(x); free(y); free(work);
}

int main(int argc, char **argv)
{
    float *a = (float *)numbers(NRX_F32, 512 * 512), *q = (float *)numbers(NRX_F32, 512 * 512), *r = (float *)numbers(NRX_F32, 512 * 512);
    double *ad = (double *)numbers(NRX_F64, 512 * 512), *bd = (double *)numbers(NRX_F64, 512 * 512), *qd = (double *)numbers(NRX_F64, 512 * 512), *rd = (double *)numbers(NRX_F64, 512 * 512);
    float *s = (float *)numbers(NRX_F32, 1024);
    double *sd = (double *)numbers(NRX_F64, 1024);
    static size_t piv[512];
    size_t i;
    BENCH_MAIN(argc, argv);
    transform("fft_f32_65536", NRX_F32, 2, 1, 65536);
    transform("fft2_f32_512", NRX_F32, 2, 512, 512);
    transform("fft_c2c_f32_65536", NRX_F32, 0, 1, 65536);
    transform("fft2_c2c_f32_512", NRX_F32, 0, 512, 512);
    transform("fft_c2c_f64_65536", NRX_F64, 0, 1, 65536);
    transform("rfft_f32_1024", NRX_F32, 1, 1, 1024);
    transform("fft_c2c_f32_1000", NRX_F32, 0, 1, 1000);
    transform("fft_c2c_f32_729", NRX_F32, 0, 1, 729);
    transform("fft_c2c_f32_1009", NRX_F32, 0, 1, 1009);
    BENCH("svd_f32_256", (void)nrx_svd_f32(256, 256, a, 256, s, q, 256, r, 256));
    BENCH("qr_f32_512", (void)nrx_qr_f32(512, 512, a, 512, q, 512, r, 512));
    BENCH("eigh_f32_256", (void)nrx_eigh_f32(256, a, 256, s, q, 256));
    BENCH("svd_f64_256", (void)nrx_svd_f64(256, 256, ad, 256, sd, qd, 256, rd, 256));
    BENCH("svdvals_f64_256", (void)nrx_svd_f64(256, 256, ad, 256, sd, NULL, 0, NULL, 0));
    BENCH("svd_f64_500x50", (void)nrx_svd_f64(500, 50, ad, 50, sd, qd, 50, rd, 50));
    BENCH("qr_f64_512", (void)nrx_qr_f64(512, 512, ad, 512, qd, 512, rd, 512));
    BENCH("qr_pivot_f64_256", (void)nrx_qr_pivot_f64(256, 256, ad, 256, qd, 256, rd, 256, piv));
    BENCH("eigh_f64_256", (void)nrx_eigh_f64(256, ad, 256, sd, qd, 256));
    BENCH("eig_f64_128", (void)nrx_eig_f64(128, ad, 128, sd, qd, 128));
    BENCH("solve_f64_512", (void)nrx_solve_f64(512, ad, 512, sd, 1, sd + 512));
    for (i = 0; i < 512 * 512; i++) bd[i] = (i % 513 ? 0.01 : 50.0) + 1e-3 * ad[i];
    BENCH("cholesky_f64_512", (void)nrx_cholesky_f64(512, bd, 512, qd, 512));
    free(a); free(q); free(r); free(s); free(ad); free(bd); free(qd); free(rd); free(sd);
    return 0;
}
