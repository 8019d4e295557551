/* cc -O2 examples/nets_denoise.c -o nets_denoise -lm && ./nets_denoise
   SPDX-License-Identifier: MIT-0 OR Unlicense
   A convex and a weakly convex ridge regularizer are trained by score matching in seconds, certified, and used to denoise an image with steps taken
   from the certificate. Then the certificate of a healthy input-convex network, and of the same one with a hidden weight of -1e-7. Writes
   nets_denoise.png.
// expect: ^CRR: .*; convex, gradient Lipschitz
// expect: ^WCRR: .*weakly convex
// expect: broken: .*wz1.*-1e-0?7
*/
#define NRX_VERBOSE
#define NRX_NETS_IMPLEMENTATION
#include "../nrx_nets.h"
#include "draw.h"

enum { N = 96, P = 48, TRAIN = 100 };

/* A shaded body with texture and inclusions; size in pixels. */
static void picture(nrx_rng *r, float *x, int size)
{
    double e[8][5], f[6][3], gx = nrx_rng_uniform(r) - 0.5, gy = nrx_rng_uniform(r) - 0.5;
    int i, j, k;
    for (k = 0; k < 8; k++) { e[k][0] = nrx_rng_uniform(r) - 0.5; e[k][1] = nrx_rng_uniform(r) - 0.5; e[k][2] = 0.04 + 0.15 * nrx_rng_uniform(r); e[k][3] = 0.04 + 0.15 * nrx_rng_uniform(r); e[k][4] = 0.6 * nrx_rng_uniform(r) - 0.3; }
    for (k = 0; k < 6; k++) { double w = 0.35 + 1.1 * nrx_rng_uniform(r), t = 2 * NRX_PI * nrx_rng_uniform(r); f[k][0] = w * cos(t); f[k][1] = w * sin(t); f[k][2] = 2 * NRX_PI * nrx_rng_uniform(r); }
    for (i = 0; i < size; i++)
        for (j = 0; j < size; j++) {
            double u = (j + 0.5) / size - 0.5, v = (i + 0.5) / size - 0.5, s = 0;
            if (u * u + v * v < 0.2) {
                s = 0.5 + 0.4 * (gx * u + gy * v);
                for (k = 0; k < 6; k++) s += 0.04 * cos(f[k][0] * j + f[k][1] * i + f[k][2]);
                for (k = 0; k < 8; k++) { double p = (u - e[k][0]) / e[k][2], q = (v - e[k][1]) / e[k][3]; if (p * p + q * q < 1) s += e[k][4]; }
            }
            x[i * size + j] = (float)(s < 0 ? 0 : s > 1 ? 1 : s);
        }
}

static double psnr(const float *a, const float *b)
{
    double e = 0;
    int i;
    for (i = 0; i < N * N; i++) e += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]) / (N * N);
    return -10 * log10(e);
}

static nrx_status identity(void *user, const void *x, void *y) { memcpy(y, x, *(const size_t *)user * sizeof(float)); return NRX_OK; }

static int progress(void *user, size_t done, size_t total, double value)
{
    if (done % 100 == 0) fprintf(stderr, "\r%s: step %lu of %lu, remaining noise %.2f ", (const char *)user, (unsigned long)done, (unsigned long)total, value);
    if (done == total) fprintf(stderr, "\n");
    return 0;
}

int main(void)
{
    static float train[TRAIN * P * P], clean[N * N], noisy[N * N], out[2][N * N];
    static const char *const names[2] = {"CRR", "WCRR"};
    size_t size = N * N, i;
    nrx_linop op = NRX_ZERO;
    nrx_rng r;
    nrx_net *net;
    nrx_net_report proof;
    nrx_net_icnn_desc d = NRX_ZERO;
    nrx_param list[20];
    draw_canvas c;
    char text[64];
    int weak;
    nrx_rng_seed(&r, 4, 0);
    for (i = 0; i < TRAIN; i++) picture(&r, train + i * P * P, P);
    picture(&r, clean, N);
    for (i = 0; i < size; i++) noisy[i] = clean[i] + 0.07f * (float)nrx_rng_normal(&r);
    op.apply = op.adjoint = identity; op.user = &size; op.rows = op.cols = size; op.norm = 1;
    c = draw_new(4 * (2 * N + 10) + 10, 2 * N + 40, 0xffffff);
    draw_image(&c, 10, 30, 2, clean, N, N, 0, 1, DRAW_GRAY);
    draw_text(&c, 10, 10, 1, 0, "clean");
    draw_image(&c, 10 + 2 * N + 10, 30, 2, noisy, N, N, 0, 1, DRAW_GRAY);
    sprintf(text, "noisy %.2f dB", psnr(noisy, clean));
    draw_text(&c, 10 + 2 * N + 10, 10, 1, 0, text);
    for (weak = 0; weak < 2; weak++) {
        nrx_net_train_desc t = NRX_ZERO;
        nrx_net_train_info ti;
        nrx_functional f;
        nrx_net_recon_desc rd = NRX_ZERO;
        nrx_net_recon_info ri;
        char name[8];
        strcpy(name, names[weak]);
        t.steps = 1200;
        t.env.progress = progress;
        t.env.progress_user = name;
        t.sigma_max = 0.07;
        if ((weak ? nrx_net_wcrr(NULL, &net) : nrx_net_crr(NULL, &net)) != NRX_OK
            || nrx_net_train_scores(net, train, TRAIN, P, P, &t, &ti) != NRX_OK || nrx_net_functional(net, N, N, NULL, &f) != NRX_OK) return 1;
        /* the score-trained step already is a denoiser of this noise; the proximal point of the same strength is better */
        (void)nrx_net_functional_rescale(&f, 1.5, 1);
        memcpy(out[weak], noisy, sizeof noisy);
        rd.max_iter = 300;
        if (nrx_net_reconstruct(&op, noisy, &f, out[weak], &rd, &ri) != NRX_OK || nrx_net_certify(net, N, N, &proof) != NRX_OK) return 1;
        printf("%s: noisy %.2f dB, denoised %.2f dB in %lu iterations (%s); %s\n", names[weak], psnr(noisy, clean), psnr(out[weak], clean),
               (unsigned long)ri.solve.iterations, nrx_stop_string(ri.solve.stop), proof.text);
        draw_image(&c, 10 + (2 + weak) * (2 * N + 10), 30, 2, out[weak], N, N, 0, 1, DRAW_GRAY);
        sprintf(text, "%s %.2f dB", names[weak], psnr(out[weak], clean));
        draw_text(&c, 10 + (2 + weak) * (2 * N + 10), 10, 1, 0, text);
        nrx_net_functional_free(&f);
        nrx_net_free(net);
    }
    d.layers = 3; d.channels = 8;
    if (nrx_net_icnn(&d, &net) != NRX_OK || nrx_net_certify(net, N, N, &proof) != NRX_OK) return 1;
    printf("healthy: %s\n", proof.text);
    (void)nrx_net_params(net, list, 20);
    for (i = 0; strcmp(list[i].name, "wz1.weight") != 0; i++) {}
    ((float *)list[i].value)[137] = -1e-7f;
    if (nrx_net_certify(net, N, N, &proof) != NRX_OK) return 1;
    printf("broken: %s\n", proof.text);
    nrx_net_free(net);
    if (!draw_save(&c, "nets_denoise.png")) return 1;
    draw_free(&c);
    return 0;
}
