/* Benchmarks of the tensors: convolutions, networks through the tape, element-wise chains, the cost of a recorded operation.
   SPDX-License-Identifier: MIT-0 OR Unlicense */
#include "bench.h"
#define NRX_TENSOR_IMPLEMENTATION
#include "nrx_tensor.h"

typedef nrx_tensor T;
static nrx_scope *s;
static nrx_rng rng;

static T *leaf(nrx_shape shape, double scale) { return nrx_t_require_grad(nrx_t_normal(s, NRX_F32, shape, 0, scale, &rng), 1); }

static void conv_fwd(T *x, T *w, T *b, const nrx_conv *o)
{
    nrx_t_begin(s);
    nrx_t_no_grad(s, 1);
    nrx_t_conv2d(x, w, b, o);
    nrx_t_no_grad(s, 0);
    nrx_t_end(s, NULL);
}
static void conv_fwdbwd(T *x, T *w, T *b, const nrx_conv *o)
{
    T *in[3], *g[3];
    in[0] = x; in[1] = w; in[2] = b;
    nrx_t_begin(s);
    x = nrx_t_conv2d(x, w, b, o);
    nrx_t_no_grad(s, 1);
    nrx_t_grad(x, in, 3, g); /* of the sum: the cotangent is one everywhere */
    nrx_t_no_grad(s, 0);
    nrx_t_end(s, NULL);
}
static void convolutions(void)
{
    static const size_t cases[4][4] = {{1, 32, 5, 128}, {32, 32, 5, 128}, {64, 64, 3, 128}, {64, 64, 3, 256}};
    nrx_conv o = NRX_ZERO;
    char name[60];
    int i;
    o.same = 1;
    for (i = 0; i < 4; i++) {
        size_t ci = cases[i][0], co = cases[i][1], k = cases[i][2], hw = cases[i][3];
        T *x, *w, *b;
        nrx_t_begin(s);
        x = leaf(nrx_s4(1, ci, hw, hw), 1);
        w = leaf(nrx_s4(co, ci, k, k), 0.1);
        b = leaf(nrx_s1(co), 1);
        sprintf(name, "conv_fwd_%dx%dk%d_%d", (int)ci, (int)co, (int)k, (int)hw);
        BENCH(name, conv_fwd(x, w, b, &o));
        sprintf(name, "conv_fwdbwd_%dx%dk%d_%d", (int)ci, (int)co, (int)k, (int)hw);
        BENCH(name, conv_fwdbwd(x, w, b, &o));
        nrx_t_end(s, NULL);
    }
}

/* The convolutional ICNN of five layers, by the tape. */
static T *wx[5], *bx[5], *wz[4], *last;
static void icnn_make(void)
{
    int i;
    for (i = 0; i < 5; i++) { wx[i] = leaf(nrx_s4(32, 1, 5, 5), 0.1); bx[i] = leaf(nrx_s1(32), 0.1); }
    for (i = 0; i < 4; i++) wz[i] = leaf(nrx_s4(32, 32, 5, 5), 0.03);
    last = leaf(nrx_s4(1, 32, 5, 5), 0.1);
}
static T *icnn(T *x) /* [n, 1, h, w] -> [n] */
{
    nrx_conv o = NRX_ZERO;
    T *z;
    int i;
    o.same = 1;
    z = nrx_t_leaky_relu(nrx_t_conv2d(x, wx[0], bx[0], &o), 0.2);
    for (i = 1; i < 5; i++) z = nrx_t_leaky_relu(nrx_t_add(nrx_t_conv2d(z, wz[i - 1], NULL, &o), nrx_t_conv2d(x, wx[i], bx[i], &o)), 0.2);
    return nrx_t_mean(nrx_t_conv2d(z, last, NULL, &o), NRX_AXIS(1) | NRX_AXIS(2) | NRX_AXIS(3), 0);
}
static void icnn_value_and_grad(T *x)
{
    T *g, *y;
    nrx_t_begin(s);
    y = icnn(x);
    nrx_t_no_grad(s, 1);
    nrx_t_grad(y, &x, 1, &g);
    nrx_t_no_grad(s, 0);
    nrx_t_end(s, NULL);
}
static void icnn_penalty(void)
{
    T *a, *b, *e, *u, *g, *n, *loss;
    nrx_t_begin(s);
    a = nrx_t_normal(s, NRX_F32, nrx_s4(4, 1, 64, 64), 0, 1, &rng);
    b = nrx_t_normal(s, NRX_F32, nrx_s4(4, 1, 64, 64), 0, 1, &rng);
    e = nrx_t_uniform(s, NRX_F32, nrx_s4(4, 1, 1, 1), 0, 1, &rng);
    u = nrx_t_require_grad(nrx_t_add(nrx_t_mul(e, a), nrx_t_mul(nrx_t_affine(e, -1, 1), b)), 1);
    nrx_t_grad(icnn(u), &u, 1, &g);
    n = nrx_t_relu(nrx_t_shift(nrx_t_norm(nrx_t_flatten(g, 1, 3), NRX_AXIS(1), 0), -1));
    loss = nrx_t_sub(nrx_t_mean(icnn(a), NRX_ALL_AXES, 0), nrx_t_mean(icnn(b), NRX_ALL_AXES, 0));
    loss = nrx_t_add(loss, nrx_t_scale(nrx_t_mean(nrx_t_square(n), NRX_ALL_AXES, 0), 10));
    nrx_t_backward(loss, 0);
    nrx_t_end(s, NULL);
}

static void mlp_double_backward(T *q, T *const *p)
{
    T *y, *g;
    nrx_t_begin(s);
    y = nrx_t_add(nrx_t_matmul(nrx_t_tanh(nrx_t_add(nrx_t_matmul(q, p[0]), p[1])), p[2]), p[3]);
    nrx_t_grad(y, &q, 1, &g);
    nrx_t_backward(nrx_t_sum(nrx_t_square(g), NRX_ALL_AXES, 0), 0);
    nrx_t_end(s, NULL);
}

static void chain(T *x, T *y, int n)
{
    int i;
    nrx_t_begin(s);
    for (i = 0; i < n; i++) {
        T *z = nrx_t_add(x, y);
        if (x != y && i) nrx_t_free(x);
        x = z;
    }
    nrx_t_end(s, NULL);
}
static void tape(T *x, int n)
{
    T *y = x;
    int i;
    nrx_t_begin(s);
    for (i = 0; i < n; i++) y = nrx_t_shift(y, 1);
    nrx_t_end(s, NULL);
}
static void tape_backward(T *x, int n)
{
    T *y = x;
    int i;
    nrx_t_begin(s);
    for (i = 0; i < n; i++) y = nrx_t_shift(y, 1);
    nrx_t_backward(y, 0);
    nrx_t_end(s, NULL);
}

int main(int argc, char **argv)
{
    T *x, *p[4], *one;
    BENCH_MAIN(argc, argv);
    s = nrx_t_scope_open(NULL);
    nrx_rng_seed(&rng, 1, 0);
    convolutions();
    icnn_make();
    x = leaf(nrx_s4(1, 1, 128, 128), 1);
    BENCH("icnn32k5x5_128_value_and_grad_x_tape", icnn_value_and_grad(x));
    BENCH("icnn32k5x5_b4_64_train_step_gp_tape", icnn_penalty());
    p[0] = leaf(nrx_s2(2, 100), 0.5); p[1] = leaf(nrx_s1(100), 0.1); p[2] = leaf(nrx_s2(100, 1), 0.1); p[3] = leaf(nrx_s1(1), 0.1);
    x = leaf(nrx_s2(256, 2), 1);
    BENCH("mlp_potential_double_backward_b256_tape", mlp_double_backward(x, p));
    one = nrx_t_require_grad(nrx_t_scalar(s, NRX_F32, 1), 1);
    BENCH("tape_1000_ops", tape(one, 1000));
    BENCH("tape_1000_ops_backward", tape_backward(one, 1000));
    nrx_t_no_grad(s, 1);
    x = nrx_t_ones(s, NRX_F32, nrx_s1((size_t)1 << 22));
    BENCH("elementwise_10_adds_4M", chain(x, x, 10)); /* 10 x 48 MB of traffic */
    if (nrx_t_status(s)) { printf("%s\n", nrx_t_error(s)); return 1; }
    nrx_t_scope_close(s);
    return 0;
}
