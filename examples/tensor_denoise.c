/* A convolutional denoiser trained on drawn shapes: residual network of five layers, mean squared error, Adam.
   SPDX-License-Identifier: MIT-0 OR Unlicense

   cc -O2 examples/tensor_denoise.c -o tensor_denoise -lm && ./tensor_denoise     (writes denoise.png) */
// expect: noisy 16.42 dB, denoised 2[67]
#define NRX_VERBOSE
#define NRX_TENSOR_IMPLEMENTATION
#include "../nrx_tensor.h"
#include "draw.h"
#include <stdio.h>
#include <stdlib.h>

enum { SIZE = 64, BATCH = 4, CHANNELS = 16, LAYERS = 5, STEPS = 400, SHOWN = 4 };
static const double noise = 0.15;
typedef nrx_tensor T;
static T *weight[LAYERS], *bias[LAYERS];

/* Overlapping ellipses of random grey on a soft background. */
static T *shapes(nrx_scope *s, size_t n, nrx_rng *r)
{
    T *t = nrx_t_full(s, NRX_F32, nrx_s4(n, 1, SIZE, SIZE), 0.2);
    size_t i;
    int k, x, y;
    for (i = 0; t && i < n; i++)
        for (k = 0; k < 9; k++) {
            double cx = nrx_rng_uniform(r) * SIZE, cy = nrx_rng_uniform(r) * SIZE, a = 4 + 14 * nrx_rng_uniform(r), b = 4 + 14 * nrx_rng_uniform(r);
            double angle = NRX_PI * nrx_rng_uniform(r), grey = nrx_rng_uniform(r), co = cos(angle), si = sin(angle);
            for (y = 0; y < SIZE; y++)
                for (x = 0; x < SIZE; x++) {
                    double u = (co * (x - cx) + si * (y - cy)) / a, v = (co * (y - cy) - si * (x - cx)) / b;
                    if (u * u + v * v < 1) ((float *)t->data)[(i * SIZE + (size_t)y) * SIZE + (size_t)x] = (float)grey;
                }
        }
    return t;
}

static T *denoise(T *x) /* x minus the noise that the network sees in it */
{
    nrx_conv o = NRX_ZERO;
    T *h = x;
    int k;
    o.same = 1;
    for (k = 0; k < LAYERS; k++) {
        h = nrx_t_conv2d(h, weight[k], bias[k], &o);
        if (k < LAYERS - 1) h = nrx_t_leaky_relu(h, 0.1);
    }
    return nrx_t_sub(x, h);
}

static double psnr(T *a, T *b) { return -10 * log10(nrx_t_item(nrx_t_mse(a, b))); }

int main(int argc, char **argv)
{
    const char *dir = argc > 2 && strcmp(argv[1], "--out") == 0 ? argv[2] : ".";
    nrx_scope *s = nrx_t_scope_open(NULL);
    T *par[2 * LAYERS], *m[2 * LAYERS], *v[2 * LAYERS], *clean, *noisy, *out;
    static double history[STEPS];
    nrx_t_memory_info memory = NRX_ZERO;
    draw_bar bar = {"training", 0, 0};
    draw_canvas c;
    draw_plot p;
    char path[500];
    nrx_rng r;
    int k, step;
    nrx_rng_seed(&r, 5, 0);
    for (k = 0; k < LAYERS; k++) {
        size_t in = k ? CHANNELS : 1, outc = k < LAYERS - 1 ? CHANNELS : 1;
        par[2 * k] = weight[k] = nrx_t_require_grad(nrx_t_normal(s, NRX_F32, nrx_s4(outc, in, 3, 3), 0, (k < LAYERS - 1 ? 1.4 : 0.3) / sqrt(9.0 * (double)in), &r), 1);
        par[2 * k + 1] = bias[k] = nrx_t_require_grad(nrx_t_zeros(s, NRX_F32, nrx_s1(outc)), 1);
    }
    for (k = 0; k < 2 * LAYERS; k++) {
        m[k] = nrx_t_zeros(s, NRX_F32, nrx_t_shape(par[k]));
        v[k] = nrx_t_zeros(s, NRX_F32, nrx_t_shape(par[k]));
    }
    for (step = 0; step < STEPS; step++) {
        double fix1 = 1 - pow(0.9, step + 1), fix2 = 1 - pow(0.99, step + 1), rate = 4e-3 * (1 - 0.9 * step / STEPS);
        T *loss;
        nrx_t_begin(s);
        clean = shapes(s, BATCH, &r);
        noisy = nrx_t_add(clean, nrx_t_normal(s, NRX_F32, nrx_t_shape(clean), 0, noise, &r));
        loss = nrx_t_mse(denoise(noisy), clean);
        history[step] = -10 * log10(nrx_t_item(loss));
        nrx_t_zero_grad(par, 2 * LAYERS);
        if (nrx_t_backward(loss, 0) != NRX_OK) return 1;
        nrx_t_no_grad(s, 1);
        for (k = 0; k < 2 * LAYERS; k++) { /* Adam */
            T *g = par[k]->grad;
            nrx_t_set(m[k], nrx_t_add(nrx_t_scale(m[k], 0.9), nrx_t_scale(g, 0.1)));
            nrx_t_set(v[k], nrx_t_add(nrx_t_scale(v[k], 0.99), nrx_t_scale(nrx_t_square(g), 0.01)));
            nrx_t_add_scaled(par[k], -rate / fix1, nrx_t_div(m[k], nrx_t_shift(nrx_t_sqrt(nrx_t_scale(v[k], 1 / fix2)), 1e-8)));
        }
        nrx_t_no_grad(s, 0);
        nrx_t_end(s, NULL);
        draw_progress(&bar, (size_t)step + 1, STEPS, history[step]);
    }
    nrx_t_memory(s, &memory, 0);
    nrx_t_no_grad(s, 1);
    clean = shapes(s, SHOWN, &r);
    noisy = nrx_t_add(clean, nrx_t_normal(s, NRX_F32, nrx_t_shape(clean), 0, noise, &r));
    out = denoise(noisy);
    if (!out) return 1;
    printf("PSNR on new images: noisy %.2f dB, denoised %.2f dB; peak tensor memory %.1f MB\n", psnr(noisy, clean), psnr(out, clean),
           (double)memory.peak_bytes / 1e6);
    c = draw_new(900, 440, 0xffffff);
    draw_text(&c, 20, 8, 1, 0, "clean");
    draw_text(&c, 20, 152, 1, 0, "noisy");
    draw_text(&c, 20, 296, 1, 0, "denoised");
    for (k = 0; k < SHOWN; k++) {
        size_t at = (size_t)k * SIZE * SIZE;
        draw_image(&c, 20 + 136 * k, 18, 2, (const float *)clean->data + at, SIZE, SIZE, 0, 1, 0);
        draw_image(&c, 20 + 136 * k, 162, 2, (const float *)noisy->data + at, SIZE, SIZE, 0, 1, 0);
        draw_image(&c, 20 + 136 * k, 306, 2, (const float *)out->data + at, SIZE, SIZE, 0, 1, 0);
    }
    p = draw_axes(&c, 570, 10, 325, 420, 0, STEPS, 14, 32, 0, "PSNR of the training batch", "step", "dB");
    draw_curve(&p, STEPS, NULL, history, draw_palette[0], NULL);
    snprintf(path, sizeof path, "%s/denoise.png", dir);
    printf("%s %s\n", draw_save(&c, path) ? "wrote" : "could not write", path);
    draw_free(&c);
    nrx_t_scope_close(s);
    return 0;
}
