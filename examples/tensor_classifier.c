/* A small classifier: three spirals in the plane, a two-layer network, cross-entropy; draws the decision regions.
   SPDX-License-Identifier: MIT-0 OR Unlicense

   cc -O2 examples/tensor_classifier.c -o tensor_classifier -lm && ./tensor_classifier     (writes classifier.png) */
// expect: accuracy: training 9[89][0-9.]* %, new points 9[789]
#define NRX_VERBOSE
#define NRX_TENSOR_IMPLEMENTATION
#include "../nrx_tensor.h"
#include "draw.h"
#include <stdio.h>
#include <stdlib.h>

enum { PER_CLASS = 150, CLASSES = 3, N = PER_CLASS * CLASSES, HIDDEN = 48, STEPS = 1500, SIDE = 160 };
typedef nrx_tensor T;
static T *par[6];

static T *logits(T *x)
{
    T *h = nrx_t_relu(nrx_t_add(nrx_t_matmul(x, par[0]), par[1]));
    h = nrx_t_relu(nrx_t_add(nrx_t_matmul(h, par[2]), par[3]));
    return nrx_t_add(nrx_t_matmul(h, par[4]), par[5]);
}

static void spirals(float *x, int64_t *label, nrx_rng *r)
{
    int i;
    for (i = 0; i < N; i++) {
        double turn = (i / CLASSES + 0.5) / PER_CLASS, angle = 4.2 * turn + 2 * NRX_PI * (i % CLASSES) / CLASSES;
        x[2 * i] = (float)(turn * cos(angle) + 0.02 * nrx_rng_normal(r));
        x[2 * i + 1] = (float)(turn * sin(angle) + 0.02 * nrx_rng_normal(r));
        label[i] = i % CLASSES;
    }
}

static double accuracy(nrx_scope *s, T *x, T *label)
{
    double a;
    nrx_t_begin(s);
    a = nrx_t_item(nrx_t_mean(nrx_t_cast(nrx_t_eq(nrx_t_argmax(logits(x), 1), label), NRX_F64), NRX_ALL_AXES, 0));
    nrx_t_end(s, NULL);
    return a;
}

int main(int argc, char **argv)
{
    const char *dir = argc > 2 && strcmp(argv[1], "--out") == 0 ? argv[2] : ".";
    nrx_scope *s = nrx_t_scope_open(NULL);
    static float points[2 * N], grid[2 * SIDE * SIDE];
    static int64_t labels[N];
    static double history[STEPS];
    static const unsigned soft[3] = {0xbcd6ea, 0xf4c4c4, 0xc4e4c4};
    T *x, *label, *test_x, *test_label, *momentum[6], *best;
    draw_bar bar = {"training", 0, 0};
    draw_canvas c;
    draw_plot p;
    char path[500];
    nrx_rng r;
    int i, k, step;
    nrx_rng_seed(&r, 7, 0);
    spirals(points, labels, &r);
    x = nrx_t_from(s, NRX_F32, nrx_s2(N, 2), points);
    label = nrx_t_from(s, NRX_I64, nrx_s1(N), labels);
    for (k = 0; k < 6; k++) {
        size_t in = k < 2 ? 2 : HIDDEN, out = k < 4 ? HIDDEN : CLASSES;
        nrx_shape shape = k % 2 ? nrx_s1(out) : nrx_s2(in, out);
        par[k] = nrx_t_require_grad(nrx_t_normal(s, NRX_F32, shape, 0, k % 2 ? 0 : sqrt(2.0 / (double)in), &r), 1);
        momentum[k] = nrx_t_zeros(s, NRX_F32, shape);
    }
    for (step = 0; step < STEPS; step++) {
        T *loss;
        nrx_t_begin(s);
        loss = nrx_t_cross_entropy(logits(x), label);
        history[step] = nrx_t_item(loss);
        nrx_t_zero_grad(par, 6);
        if (nrx_t_backward(loss, 0) != NRX_OK) return 1;
        nrx_t_no_grad(s, 1);
        for (k = 0; k < 6; k++) {
            nrx_t_set(momentum[k], nrx_t_add(nrx_t_scale(momentum[k], 0.9), par[k]->grad));
            nrx_t_add_scaled(par[k], -0.03, momentum[k]);
        }
        nrx_t_no_grad(s, 0);
        nrx_t_end(s, NULL);
        draw_progress(&bar, (size_t)step + 1, STEPS, history[step]);
    }
    nrx_t_no_grad(s, 1);
    c = draw_new(900, 460, 0xffffff);
    for (i = 0; i < SIDE * SIDE; i++) {
        grid[2 * i] = (float)(-1.15 + 2.3 * (i % SIDE) / (SIDE - 1));
        grid[2 * i + 1] = (float)(1.15 - 2.3 * (i / SIDE) / (SIDE - 1));
    }
    best = nrx_t_argmax(logits(nrx_t_wrap(s, NRX_F32, nrx_s2(SIDE * SIDE, 2), NULL, grid)), 1);
    for (i = 0; best && i < SIDE * SIDE; i++)
        draw_rect(&c, 10 + i % SIDE * 440 / SIDE, 10 + i / SIDE * 440 / SIDE, 3, 3, soft[((int64_t *)best->data)[i]]);
    for (i = 0; i < N; i++)
        draw_rect(&c, (int)(10 + (points[2 * i] + 1.15) / 2.3 * 440) - 1, (int)(10 + (1.15 - points[2 * i + 1]) / 2.3 * 440) - 1, 4, 4, draw_palette[labels[i]]);
    p = draw_axes(&c, 460, 10, 430, 440, 0, STEPS, 1e-3, 2, DRAW_LOG_Y, "cross-entropy", "step", "");
    draw_curve(&p, STEPS, NULL, history, draw_palette[0], NULL);
    spirals(points, labels, &r); /* fresh noise */
    test_x = nrx_t_from(s, NRX_F32, nrx_s2(N, 2), points);
    test_label = nrx_t_from(s, NRX_I64, nrx_s1(N), labels);
    printf("cross-entropy %.4f, accuracy: training %.1f %%, new points %.1f %%\n", history[STEPS - 1], 100 * accuracy(s, x, label),
           100 * accuracy(s, test_x, test_label));
    snprintf(path, sizeof path, "%s/classifier.png", dir);
    printf("%s %s\n", draw_save(&c, path) ? "wrote" : "could not write", path);
    draw_free(&c);
    nrx_t_scope_close(s);
    return 0;
}
