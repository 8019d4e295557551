/* optim_tv_denoise.c - total variation denoising with a certificate
   SPDX-License-Identifier: MIT-0 OR Unlicense

   cc -O2 examples/optim_tv_denoise.c -o optim_tv_denoise -lm && ./optim_tv_denoise

   A 256 x 256 picture of discs, bars and a ramp gets Gaussian noise (standard deviation 0.15). min 1/2 |u - f|^2 + lambda TV(u) is solved by dual
   FISTA with restart and by accelerated PDHG; at every test the duality gap bounds how far the objective still is from the minimum.
   Prints the iterations to each gap, the signal-to-noise gain, and draws optim_tv_denoise.png. */
#define NRX_VERBOSE
#define NRX_OPTIM_IMPLEMENTATION
#include "../nrx_optim.h"
#include "draw.h"

enum { N = 256, CAP = 2000 };

static float clean[N * N], noisy[N * N], result[N * N];

static void picture(void)
{
    nrx_rng r;
    int i, j;
    nrx_rng_seed(&r, 11, 0);
    for (i = 0; i < N; i++)
        for (j = 0; j < N; j++) {
            double x = (j - 127.5) / 128, y = (i - 127.5) / 128, v = 0.15 + 0.1 * (x > 0 ? x : 0);
            if (x * x + y * y < 0.64) v = 0.5;
            if ((x - 0.3) * (x - 0.3) + (y + 0.2) * (y + 0.2) < 0.06) v = 0.95;
            if ((x + 0.35) * (x + 0.35) / 0.05 + (y + 0.1) * (y + 0.1) / 0.12 < 1) v = 0.25;
            if (y > 0.3 && y < 0.5 && fabs(x) < 0.55 && (int)((x + 1) * 20) % 2) v = 0.85;
            clean[i * N + j] = (float)v;
            noisy[i * N + j] = (float)(v + 0.15 * nrx_rng_normal(&r));
        }
}

static double psnr(const float *u)
{
    double s = 0;
    int i;
    for (i = 0; i < N * N; i++) s += ((double)u[i] - clean[i]) * ((double)u[i] - clean[i]) / (N * N);
    return -10 * log10(s);
}

int main(void)
{
    static double gap[2][CAP], at[2][CAP];
    static const char *name[2] = {"dual FISTA with restart", "accelerated PDHG"};
    size_t count[2];
    draw_canvas c = draw_new(3 * N + 40, N + 60 + 300, 0xffffff);
    draw_plot p;
    int method, k;
    picture();
    for (method = 0; method < 2; method++) {
        nrx_solve_desc o = NRX_ZERO;
        nrx_solve_info info;
        double begin = draw_seconds(), goal = 1e-1;
        o.method = method ? NRX_SOLVE_GRADIENT : NRX_SOLVE_ACCELERATED;
        o.max_iter = CAP; o.tol = 1e-6; o.check_every = 5; o.history = gap[method]; o.history_size = CAP;
        if (nrx_opt_tv_denoise(NRX_F32, N, N, noisy, 0.16, result, &o, &info) != NRX_OK) return 1;
        begin = draw_seconds() - begin;
        count[method] = info.history_count;
        printf("%s: objective %.6g, at most %.2g above the minimum, %zu iterations (%s), %.2f ms each\n", name[method], info.objective, info.gap, info.iterations,
               nrx_stop_string(info.stop), 1e3 * begin / (double)info.iterations);
        for (k = 0; k < (int)info.history_count; k++) {
            at[method][k] = 5.0 * (k + 1);
            gap[method][k] /= info.objective;
            while (gap[method][k] <= goal) { printf("    relative gap %.0e after %.0f iterations\n", goal, at[method][k]); goal *= 0.1; }
        }
    }
    printf("PSNR: noisy %.2f dB, denoised %.2f dB\n", psnr(noisy), psnr(result));
    draw_text(&c, 10, 8, 1, 0x000000, "clean");
    draw_text(&c, N + 20, 8, 1, 0x000000, "noisy");
    draw_text(&c, 2 * N + 30, 8, 1, 0x000000, "total variation");
    draw_image(&c, 10, 20, 1, clean, N, N, 0, 1, DRAW_GRAY);
    draw_image(&c, N + 20, 20, 1, noisy, N, N, 0, 1, DRAW_GRAY);
    draw_image(&c, 2 * N + 30, 20, 1, result, N, N, 0, 1, DRAW_GRAY);
    p = draw_axes(&c, 10, N + 40, 3 * N + 20, 300, 0, 1000, 1e-6, 1, DRAW_LOG_Y, "certified relative gap", "iteration", "gap");
    for (method = 0; method < 2; method++) draw_curve(&p, count[method], at[method], gap[method], draw_palette[method], name[method]);
    draw_save(&c, "optim_tv_denoise.png");
    draw_free(&c);
    return 0;
}
// expect: PSNR: noisy 16\.[0-9]+ dB, denoised 3[12]\.
