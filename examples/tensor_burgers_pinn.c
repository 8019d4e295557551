/* A physics-informed network for the Burgers equation against the exact solution.
   SPDX-License-Identifier: MIT-0 OR Unlicense

   cc -O2 examples/tensor_burgers_pinn.c -o tensor_burgers_pinn -lm && ./tensor_burgers_pinn     (writes burgers.png)

   u_t + u u_x = nu u_xx on x in [-1, 1], t in [0, 1], u(x, 0) = -sin(pi x), u(+-1, t) = 0, nu = 0.1/pi. The network is
   u = -sin(pi x) (1 - t) + t (1 - x^2) N(x, t) with a tanh network N, so that the initial and boundary values hold exactly
   at t = 0 and x = +-1, and only the residual of the equation is trained. Both derivatives of u come from the tape, and the
   gradient of the loss goes through them: third derivatives of the network. Exact solution: Cole-Hopf transformation with
   Gauss-Hermite quadrature (Basdevant et al., Computers and Fluids 14, 1986). */
// expect: relative L2 error [0-9.]+e-0[3-9]
#define NRX_VERBOSE
#define NRX_TENSOR_IMPLEMENTATION
#include "../nrx_tensor.h"
#include "draw.h"
#include <stdio.h>
#include <stdlib.h>

enum { WIDTH = 24, LAYERS = 3, POINTS = 300, STEPS = 1800, GX = 128, GT = 64 };
typedef nrx_tensor T;
static T *W[LAYERS + 1], *B[LAYERS + 1];
static const double nu = 0.1 / NRX_PI;

static T *network(T *x, T *t)
{
    T *in[2], *h, *n;
    int k;
    in[0] = x;
    in[1] = t;
    h = nrx_t_concat(in, 2, 1);
    for (k = 0; k <= LAYERS; k++) {
        h = nrx_t_add(nrx_t_matmul(h, W[k]), B[k]);
        if (k < LAYERS) h = nrx_t_tanh(h);
    }
    n = nrx_t_mul(nrx_t_mul(t, nrx_t_affine(nrx_t_square(x), -1, 1)), h);
    return nrx_t_sub(n, nrx_t_mul(nrx_t_sin(nrx_t_scale(x, NRX_PI)), nrx_t_affine(t, -1, 1)));
}

/* Exact u by the integral of the Cole-Hopf transformation, trapezoid rule on [-7, 7] standard deviations (spectrally accurate). */
static double exact(double x, double t)
{
    double top = 0, bottom = 0;
    int i;
    if (t <= 0) return -sin(NRX_PI * x);
    for (i = -400; i <= 400; i++) {
        double z = 7.0 * i / 400, y = x - sqrt(4 * nu * t) * z;
        double f = exp(-cos(NRX_PI * y) / (2 * NRX_PI * nu) - z * z);
        top -= sin(NRX_PI * y) * f;
        bottom += f;
    }
    return top / bottom;
}

int main(int argc, char **argv)
{
    const char *dir = argc > 2 && strcmp(argv[1], "--out") == 0 ? argv[2] : ".";
    nrx_scope *s = nrx_t_scope_open(NULL);
    nrx_t_memory_info memory = NRX_ZERO;
    T *params[2 * (LAYERS + 1)], *m[2 * (LAYERS + 1)], *v[2 * (LAYERS + 1)], *x, *t;
    static float map[2][GT * GX];
    static double xs[GX], now[3][GX], net[3][GX], history[STEPS];
    double worst = 0, err = 0, size = 0, lo = 0, hi = 1;
    draw_bar bar = {"training", 0, 0};
    draw_canvas c;
    draw_plot p;
    char path[500];
    nrx_rng r;
    int k, i, j, step, count = 0;
    nrx_rng_seed(&r, 1, 0);
    for (k = 0; k <= LAYERS; k++) {
        size_t in = k ? WIDTH : 2, out = k < LAYERS ? WIDTH : 1;
        params[count++] = W[k] = nrx_t_require_grad(nrx_t_normal(s, NRX_F64, nrx_s2(in, out), 0, sqrt(1.5 / (double)in), &r), 1);
        params[count++] = B[k] = nrx_t_require_grad(nrx_t_zeros(s, NRX_F64, nrx_s1(out)), 1);
    }
    for (k = 0; k < count; k++) {
        m[k] = nrx_t_zeros(s, NRX_F64, nrx_t_shape(params[k]));
        v[k] = nrx_t_zeros(s, NRX_F64, nrx_t_shape(params[k]));
    }
    for (step = 0; step < STEPS; step++) {
        T *u, *du[2], *xt[2], *uxx, *residual, *loss;
        double rate = 6e-3 * (step < STEPS / 2 ? 1 : 2.0 * (STEPS - step) / STEPS + 1e-2), fix1 = 1 - pow(0.9, step + 1), fix2 = 1 - pow(0.99, step + 1);
        nrx_t_begin(s);
        x = nrx_t_require_grad(nrx_t_uniform(s, NRX_F64, nrx_s2(POINTS, 1), -1, 1, &r), 1);
        t = nrx_t_require_grad(nrx_t_uniform(s, NRX_F64, nrx_s2(POINTS, 1), 0, 1, &r), 1);
        u = network(x, t);
        xt[0] = x;
        xt[1] = t;
        nrx_t_grad(u, xt, 2, du);
        nrx_t_grad(du[0], &x, 1, &uxx);
        residual = nrx_t_sub(nrx_t_add(du[1], nrx_t_mul(u, du[0])), nrx_t_scale(uxx, nu));
        loss = nrx_t_mean(nrx_t_square(residual), NRX_ALL_AXES, 0);
        history[step] = nrx_t_item(loss);
        nrx_t_zero_grad(params, (size_t)count);
        if (nrx_t_backward(loss, 0) != NRX_OK) return 1;
        nrx_t_no_grad(s, 1);
        for (k = 0; k < count; k++) { /* Adam, written out */
            T *g = params[k]->grad, *d;
            nrx_t_set(m[k], nrx_t_add(nrx_t_scale(m[k], 0.9), nrx_t_scale(g, 0.1)));
            nrx_t_set(v[k], nrx_t_add(nrx_t_scale(v[k], 0.99), nrx_t_scale(nrx_t_square(g), 0.01)));
            d = nrx_t_div(m[k], nrx_t_shift(nrx_t_sqrt(nrx_t_scale(v[k], 1 / fix2)), 1e-10));
            nrx_t_add_scaled(params[k], -rate / fix1, d);
        }
        nrx_t_no_grad(s, 0);
        nrx_t_end(s, NULL);
        draw_progress(&bar, (size_t)step + 1, STEPS, history[step]);
    }
    nrx_t_memory(s, &memory, 0);
    nrx_t_no_grad(s, 1);
    for (i = 0; i < GT; i++) {
        double tt = (double)i / (GT - 1);
        T *u;
        nrx_t_begin(s);
        x = nrx_t_reshape(nrx_t_linspace(s, NRX_F64, -1, 1, GX), nrx_s2(GX, 1));
        t = nrx_t_full(s, NRX_F64, nrx_s2(GX, 1), tt);
        u = network(x, t);
        for (j = 0; u && j < GX; j++) {
            double a = ((double *)u->data)[j], b;
            xs[j] = -1 + 2.0 * j / (GX - 1);
            b = exact(xs[j], tt);
            map[0][(GT - 1 - i) * GX + j] = (float)a;
            map[1][(GT - 1 - i) * GX + j] = (float)(a - b);
            if (fabs(a - b) > worst) worst = fabs(a - b);
            err += (a - b) * (a - b);
            size += b * b;
            for (k = 0; k < 3; k++) if (i == (k + 1) * (GT - 1) / 3) { net[k][j] = a; now[k][j] = b; }
        }
        nrx_t_end(s, NULL);
    }
    printf("residual %.2e, relative L2 error %.2e, largest error %.2e, peak tensor memory %.1f MB\n", history[STEPS - 1], sqrt(err / size), worst,
           (double)memory.peak_bytes / 1e6);
    c = draw_new(860, 640, 0xffffff);
    draw_text(&c, 20, 10, 1, 0, "Burgers equation: network u(x,t) (t upwards), -1 .. 1");
    draw_image(&c, 20, 26, 3, map[0], GX, GT, -1, 1, DRAW_DIVERGING);
    snprintf(path, sizeof path, "error against the exact solution, -%.1g .. %.1g", worst, worst);
    draw_text(&c, 440, 10, 1, 0, path);
    draw_image(&c, 440, 26, 3, map[1], GX, GT, -worst, worst, DRAW_DIVERGING);
    p = draw_axes(&c, 10, 240, 420, 380, -1, 1, -1.05, 1.05, 0, "u at t = 1/3, 2/3, 1: points exact, lines network", "x", "u");
    for (k = 0; k < 3; k++) {
        draw_points(&p, GX, xs, now[k], 3, draw_palette[k], NULL);
        draw_curve(&p, GX, xs, net[k], draw_palette[k], NULL);
    }
    draw_range(STEPS, history, &lo, &hi);
    p = draw_axes(&c, 435, 240, 420, 380, 0, STEPS, lo > 0 ? lo : 1e-6, hi, DRAW_LOG_Y, "mean squared residual", "step", "");
    draw_curve(&p, STEPS, NULL, history, draw_palette[0], NULL);
    snprintf(path, sizeof path, "%s/burgers.png", dir);
    printf("%s %s\n", draw_save(&c, path) ? "wrote" : "could not write", path);
    draw_free(&c);
    nrx_t_scope_close(s);
    return 0;
}
