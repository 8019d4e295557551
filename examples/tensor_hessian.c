/* Eigenvalues of the Hessian of a small network's loss, along training: exactly, and the largest one by power iteration.
   SPDX-License-Identifier: MIT-0 OR Unlicense

   cc -O2 examples/tensor_hessian.c -o tensor_hessian -lm && ./tensor_hessian     (writes hessian.png)

   The loss is a function of one vector of parameters, so that nrx_t_hessian gives the matrix and nrx_t_eigh its spectrum;
   nrx_t_hvp gives Hessian-vector products without the matrix. Gradient descent with step h is stable where the largest
   eigenvalue is below 2/h: the picture shows how training approaches that line. */
// expect: largest eigenvalue 10.867 -> 16[.][0-9]+ .stability limit 16.667.; power iteration within [0-9.]+e-0[3-9]
#define NRX_VERBOSE
#define NRX_TENSOR_IMPLEMENTATION
#include "../nrx_tensor.h"
#include "draw.h"
#include <stdio.h>
#include <stdlib.h>

enum { H = 10, P = H + H * H + H + H + H + 1, N = 40, STEPS = 3000, EVERY = 100, SHOTS = STEPS / EVERY };
static const double rate = 0.12;
typedef nrx_tensor T;

static T *piece(T *p, ptrdiff_t *at, size_t rows, size_t cols)
{
    T *x = nrx_t_slice(p, 0, *at, *at + (ptrdiff_t)(rows * cols), 1);
    *at += (ptrdiff_t)(rows * cols);
    return nrx_t_reshape(x, nrx_s2(rows, cols));
}
static T *loss_of(T *p, T *x, T *y) /* 1 - H - H - 1, tanh */
{
    ptrdiff_t at = 0;
    T *h = nrx_t_matmul(x, piece(p, &at, 1, H));
    h = nrx_t_tanh(nrx_t_add(h, piece(p, &at, 1, H)));
    h = nrx_t_matmul(h, piece(p, &at, H, H));
    h = nrx_t_tanh(nrx_t_add(h, piece(p, &at, 1, H)));
    h = nrx_t_matmul(h, piece(p, &at, H, 1));
    h = nrx_t_add(h, piece(p, &at, 1, 1));
    return nrx_t_mse(h, y);
}

static double power_iteration(nrx_scope *s, T *loss, T *p, nrx_rng *r)
{
    T *v = nrx_t_normal(s, NRX_F64, nrx_s1(P), 0, 1, r), *hv;
    double lambda = 0;
    int k;
    for (k = 0; k < 60; k++) {
        v = nrx_t_div(v, nrx_t_norm(v, NRX_ALL_AXES, 0));
        if (nrx_t_hvp(loss, &p, &v, 1, &hv) != NRX_OK) return 0;
        hv = nrx_t_detach(hv);
        lambda = nrx_t_item(nrx_t_sum(nrx_t_mul(v, hv), NRX_ALL_AXES, 0));
        v = hv;
    }
    return lambda;
}

int main(int argc, char **argv)
{
    const char *dir = argc > 2 && strcmp(argv[1], "--out") == 0 ? argv[2] : ".";
    nrx_scope *s = nrx_t_scope_open(NULL);
    static double shot[SHOTS], top[SHOTS], power[SHOTS], stable[SHOTS], losses[STEPS], spectrum[P], place[P];
    T *p, *x, *y;
    draw_bar bar = {"training", 0, 0};
    draw_canvas c;
    draw_plot plot;
    char path[500];
    nrx_rng r;
    double peak = 2 / rate, worst = 0;
    int step, k, shots = 0;
    nrx_rng_seed(&r, 3, 0);
    p = nrx_t_require_grad(nrx_t_normal(s, NRX_F64, nrx_s1(P), 0, 0.45, &r), 1);
    x = nrx_t_reshape(nrx_t_linspace(s, NRX_F64, -2, 2, N), nrx_s2(N, 1));
    y = nrx_t_sin(nrx_t_scale(x, 2.5));
    for (step = 0; step < STEPS; step++) {
        T *loss, *h, *w;
        nrx_t_begin(s);
        loss = loss_of(p, x, y);
        losses[step] = nrx_t_item(loss);
        if (step % EVERY == 0) {
            h = nrx_t_hessian(loss, p);
            nrx_t_no_grad(s, 1);
            if (nrx_t_eigh(h, &w, NULL) != NRX_OK) return 1;
            nrx_t_read(w, spectrum);
            power[shots] = power_iteration(s, loss, p, &r);
            nrx_t_no_grad(s, 0);
            shot[shots] = step;
            top[shots] = spectrum[P - 1];
            stable[shots] = 2 / rate;
            if (top[shots] > peak) peak = top[shots];
            if (fabs(power[shots] / top[shots] - 1) > worst) worst = fabs(power[shots] / top[shots] - 1);
            shots++;
        }
        nrx_t_zero_grad(&p, 1);
        if (nrx_t_backward(loss, 0) != NRX_OK) return 1;
        nrx_t_add_scaled(p, -rate, p->grad);
        nrx_t_end(s, NULL);
        draw_progress(&bar, (size_t)step + 1, STEPS, losses[step]);
    }
    printf("loss %.3g -> %.3g; largest eigenvalue %.3f -> %.3f (stability limit %.3f); power iteration within %.1e\n", losses[0], losses[STEPS - 1],
           top[0], top[shots - 1], 2 / rate, worst);
    c = draw_new(960, 400, 0xffffff);
    plot = draw_axes(&c, 5, 5, 475, 390, 0, STEPS, 0, 1.35 * peak, 0, "largest Hessian eigenvalue during gradient descent", "step", "");
    draw_curve(&plot, (size_t)shots, shot, stable, draw_palette[1], "stability limit 2 / step size");
    draw_curve(&plot, (size_t)shots, shot, top, draw_palette[0], "eigh of the Hessian");
    draw_points(&plot, (size_t)shots, shot, power, 5, draw_palette[2], "power iteration on nrx_t_hvp");
    for (k = 0; k < P; k++) { place[k] = P - k; spectrum[k] = fabs(spectrum[k]) + 1e-12; }
    plot = draw_axes(&c, 480, 5, 475, 390, 0, P, 1e-9, 1.5 * peak, DRAW_LOG_Y, "all |eigenvalues| at the last look", "index", "");
    draw_points(&plot, P, place, spectrum, 3, draw_palette[0], NULL);
    snprintf(path, sizeof path, "%s/hessian.png", dir);
    printf("%s %s\n", draw_save(&c, path) ? "wrote" : "could not write", path);
    draw_free(&c);
    nrx_t_scope_close(s);
    return 0;
}
