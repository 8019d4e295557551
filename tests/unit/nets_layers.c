/* SPDX-License-Identifier: MIT-0 OR Unlicense
   run: alloc threads reproducible
   Every layer: convolutions against the definition in f64; then, for each layer and for whole networks, the four passes against
   each other (duality, exact to rounding) and against central differences (extrapolated, f32 noise allowed for). */
#if defined(NRX_TEST_THREADS)
#define NRX_TEST_POOL
#endif
#include "../nrx_test.h"
#define NRX_NETS_IMPLEMENTATION
#include "nrx_nets.h"

#define NRX_TEST_SAME ((size_t)-1)
#define NRX_TEST_CHANNELS(net) ((net)->layer[0].channels) /* the implementation is in this unit */

static nrx_test_rng rng = {12345};

static float *noise(size_t n, double scale)
{
    float *x = (float *)malloc((n ? n : 1) * sizeof *x);
    size_t i;
    for (i = 0; i < n; i++) x[i] = (float)(scale * nrx_test_signed(&rng));
    return x;
}

static double dot(const float *a, const float *b, size_t n)
{
    double s = 0;
    size_t i;
    for (i = 0; i < n; i++) s += (double)a[i] * (double)b[i];
    return s;
}

/* ---- convolutions by their definition ---- */

static ptrdiff_t border(ptrdiff_t i, ptrdiff_t n, int mode) /* -1 = zero */
{
    while (i < 0 || i >= n) {
        if (mode == NRX_NET_PAD_ZERO) return -1;
        if (mode == NRX_NET_PAD_CIRCULAR) i += i < 0 ? n : -n;
        else if (mode == NRX_NET_PAD_REFLECT) i = i < 0 ? -i : 2 * (n - 1) - i;
        else i = i < 0 ? 0 : n - 1;
    }
    return i;
}

static void conv_case(size_t n, size_t ci, size_t co, size_t h, size_t w, size_t kh, size_t kw, size_t stride, size_t dil, size_t groups, int mode, size_t pad)
{
    nrx_net *net;
    nrx_net_conv_desc d = NRX_ZERO;
    nrx_net_desc nd = NRX_ZERO;
    nrx_net_plan_desc pd = NRX_ZERO;
    nrx_net_plan *p;
    nrx_param list[4];
    size_t shape[4], s, o, y, x, i, ky, kx, cig = ci / groups, cog = co / groups;
    float *in = noise(n * ci * h * w, 1), *out;
    double worst = 0;
    nd.channels = ci;
    CHECK(nrx_net_create(&nd, &net) == NRX_OK);
    d.channels = co; d.kernel = kw; d.kernel_height = kh; d.stride = stride; d.dilation = dil; d.groups = groups; d.padding = mode; d.pad = pad;
    CHECK(nrx_net_conv2d(net, 0, &d) == 1);
    pd.n = n; pd.height = h; pd.width = w;
    if (nrx_net_plan_create(net, &pd, &p) != NRX_OK) { CHECK(!"plan"); free(in); nrx_net_free(net); return; }
    nrx_net_plan_output_shape(p, shape);
    out = noise(shape[0] * shape[1] * shape[2] * shape[3], 1);
    CHECK(nrx_net_forward(p, in, out) == NRX_OK);
    CHECK(nrx_net_params(net, list, 4) == 2);
    if (mode == NRX_NET_PAD_VALID) { mode = NRX_NET_PAD_ZERO; }
    else if (pad == 0) pad = NRX_TEST_SAME;
    for (s = 0; s < n; s++) for (o = 0; o < co; o++) for (y = 0; y < shape[2]; y++) for (x = 0; x < shape[3]; x++) {
        double sum = (double)((float *)list[1].value)[o];
        ptrdiff_t py = (ptrdiff_t)(pad == NRX_TEST_SAME ? (kh - 1) * dil / 2 : kh > 1 || kw == 1 ? pad : 0), px = (ptrdiff_t)(pad == NRX_TEST_SAME ? (kw - 1) * dil / 2 : pad);
        for (i = 0; i < cig; i++) for (ky = 0; ky < kh; ky++) for (kx = 0; kx < kw; kx++) {
            ptrdiff_t a = border((ptrdiff_t)(y * stride + ky * dil) - py, (ptrdiff_t)h, mode), b = border((ptrdiff_t)(x * stride + kx * dil) - px, (ptrdiff_t)w, mode);
            if (a < 0 || b < 0) continue;
            sum += (double)((float *)list[0].value)[((o * cig + i) * kh + ky) * kw + kx]
                 * (double)in[((s * ci + o / cog * cig + i) * h + (size_t)a) * w + (size_t)b];
        }
        sum = fabs(sum - (double)out[((s * co + o) * shape[2] + y) * shape[3] + x]);
        if (sum > worst) worst = sum;
    }
    CHECK_NEAR(worst, 0, ci >= 8 && co >= 8 && groups == 1 ? 2e-5 : 5e-6); /* Winograd rounds more than the direct sum */
    free(in);
    free(out);
    nrx_net_plan_free(p);
    nrx_net_free(net);
}

/* ---- the four passes of any network ---- */

/* <gy, y(x)> + <gdy, J(x) v> at shifted x, v, theta. */
static double energy(nrx_net_plan *p, const float *x, const float *v, const float *gy, const float *gdy, float *y, float *dy, size_t m)
{
    CHECK(nrx_net_forward(p, x, y) == NRX_OK);
    CHECK(nrx_net_tangent(p, v, dy) == NRX_OK);
    return dot(gy, y, m) + dot(gdy, dy, m);
}

static void axpy(float *to, const float *x, const float *d, double h, size_t n)
{
    size_t i;
    for (i = 0; i < n; i++) to[i] = (float)((double)x[i] + h * (double)d[i]);
}

/* kinks: the network has them, so second-order terms are compared only through duality. */
static void passes(nrx_net *net, const char *name, size_t n, size_t h, size_t w, double scale, double tol, int kinks)
{
    nrx_net_plan_desc pd = NRX_ZERO;
    nrx_net_plan *p;
    size_t shape[4], m, k, count = nrx_net_param_count(net), i;
    float *x, *v, *u, *gy, *gdy, *y, *dy, *gx, *gv, *gx2, *t, *grad, *theta = nrx_net_weights(net), *theta0, *d;
    double e[4], hh, slope, want, size;
    long before = nrx_test_failures;
    pd.n = n; pd.height = h; pd.width = w; pd.mode = NRX_NET_PAIR;
    if (nrx_net_plan_create(net, &pd, &p) != NRX_OK) { CHECK(!"plan"); printf("in %s\n", name); return; }
    nrx_net_plan_output_shape(p, shape);
    m = shape[0] * shape[1] * shape[2] * shape[3];
    k = n * h * w; /* times channels: read from the plan through the input size */
    k *= NRX_TEST_CHANNELS(net);
    x = noise(k, scale); v = noise(k, 1); u = noise(k, 1); gy = noise(m, 1); gdy = noise(m, 1); y = noise(m, 1); dy = noise(m, 1);
    gx = noise(k, 1); gv = noise(k, 1); gx2 = noise(k, 1); t = noise(k, 1); grad = (float *)calloc(count + 1, sizeof *grad);
    theta0 = noise(count, 1); d = noise(count, 1);
    if (count) memcpy(theta0, theta, count * sizeof *theta);
    /* duality: <gy, J v> = <J^T gy, v>, forward mode against reverse mode */
    CHECK(nrx_net_forward(p, x, y) == NRX_OK && nrx_net_tangent(p, v, dy) == NRX_OK);
    CHECK(nrx_net_backward(p, gy, gx, NULL) == NRX_OK);
    /* both sides round in proportion to the larger product of norms (a difference of networks cancels in dy) */
    size = sqrt(fmax(dot(gy, gy, m) * dot(dy, dy, m), dot(gx, gx, k) * dot(v, v, k))) + 1e-6;
    CHECK_NEAR(dot(gy, dy, m) / size, dot(gx, v, k) / size, 3e-6);
    /* tangent against differences */
    for (i = 0; i < 2; i++) {
        hh = 0.02 * scale / (double)(1 + i);
        axpy(t, x, v, hh, k); CHECK(nrx_net_forward(p, t, y) == NRX_OK); e[2 * i] = dot(gy, y, m);
        axpy(t, x, v, -hh, k); CHECK(nrx_net_forward(p, t, y) == NRX_OK); e[2 * i + 1] = dot(gy, y, m);
    }
    hh = 0.02 * scale;
    slope = (8 * (e[2] - e[3]) - (e[0] - e[1])) / (6 * hh);
    CHECK_NEAR(slope / size, dot(gy, dy, m) / size, kinks ? 10 * tol : tol);
    /* pair: v gradient is J^T gdy; x and theta gradients by differences of the pair's energy */
    CHECK(nrx_net_forward(p, x, y) == NRX_OK && nrx_net_tangent(p, v, dy) == NRX_OK);
    CHECK(nrx_net_backward_tangent(p, gy, gdy, gx, gv, grad) == NRX_OK);
    CHECK(nrx_net_forward(p, x, y) == NRX_OK && nrx_net_backward(p, gdy, gx2, NULL) == NRX_OK);
    size = sqrt(dot(gv, gv, k)) + 1e-6;
    for (i = 0, want = 0; i < k; i++) want = fmax(want, fabs((double)gv[i] - (double)gx2[i]));
    CHECK_NEAR(want / size, 0, 2e-6);
    if (!kinks) {
        for (i = 0; i < 2; i++) {
            hh = 0.02 * scale / (double)(1 + i);
            axpy(t, x, u, hh, k); e[2 * i] = energy(p, t, v, gy, gdy, y, dy, m);
            axpy(t, x, u, -hh, k); e[2 * i + 1] = energy(p, t, v, gy, gdy, y, dy, m);
        }
        hh = 0.02 * scale;
        slope = (8 * (e[2] - e[3]) - (e[0] - e[1])) / (6 * hh);
        size = sqrt(dot(gx, gx, k) * dot(u, u, k)) + 1e-3 * fabs(e[0]) + 1e-3;
        CHECK_NEAR(slope / size, dot(gx, u, k) / size, tol);
    }
    if (count) {
        double hw = kinks ? 2e-3 : 1e-2;
        for (i = 0; i < 2; i++) {
            axpy(theta, theta0, d, hw / (double)(1 + i), count); e[2 * i] = energy(p, x, v, gy, gdy, y, dy, m);
            axpy(theta, theta0, d, -hw / (double)(1 + i), count); e[2 * i + 1] = energy(p, x, v, gy, gdy, y, dy, m);
        }
        memcpy(theta, theta0, count * sizeof *theta);
        slope = (8 * (e[2] - e[3]) - (e[0] - e[1])) / (6 * hw);
        size = sqrt(dot(grad, grad, count) * dot(d, d, count)) + 1e-3 * fabs(e[0]) + 1e-3;
        if (kinks != 2) CHECK_NEAR(slope / size, dot(grad, d, count) / size, kinks ? 10 * tol : tol);
    }
    /* the short cut after a backward with ones gives the same as the long way */
    {
        float *ones = noise(m, 1), *g2 = (float *)calloc(count + 1, sizeof *g2);
        for (i = 0; i < m; i++) ones[i] = 1;
        memset(grad, 0, (count + 1) * sizeof *grad);
        CHECK(nrx_net_forward(p, x, y) == NRX_OK && nrx_net_tangent(p, v, dy) == NRX_OK);
        CHECK(nrx_net_backward_tangent(p, NULL, ones, gx, gv, grad) == NRX_OK);
        CHECK(nrx_net_forward(p, x, y) == NRX_OK && nrx_net_backward(p, NULL, NULL, NULL) == NRX_OK && nrx_net_tangent(p, v, dy) == NRX_OK);
        CHECK(nrx_net_backward_tangent(p, NULL, NULL, gx2, t, g2) == NRX_OK);
        CHECK(memcmp(gx, gx2, k * sizeof *gx) == 0 && memcmp(gv, t, k * sizeof *gv) == 0 && memcmp(grad, g2, count * sizeof *g2) == 0);
        free(ones); free(g2);
    }
    if (nrx_test_failures != before) printf("in %s\n", name);
    free(x); free(v); free(u); free(gy); free(gdy); free(y); free(dy); free(gx); free(gv); free(gx2); free(t); free(grad); free(theta0); free(d);
    nrx_net_plan_free(p);
}

static nrx_net *graph(size_t channels)
{
    nrx_net *n = NULL;
    nrx_net_desc d = NRX_ZERO;
    d.channels = channels;
    d.seed = 3;
    CHECK(nrx_net_create(&d, &n) == NRX_OK);
    return n;
}

static void finish(nrx_net *n, const char *name, size_t batch, size_t h, size_t w, double scale, double tol, int kinks)
{
    if (nrx_net_status(n) != NRX_OK) { CHECK(!"builder"); printf("in %s\n", name); }
    else passes(n, name, batch, h, w, scale, tol, kinks);
    nrx_net_free(n);
}

static void layers(void)
{
    static const char *const names[] = {"relu", "leaky", "smooth_relu", "softplus", "elu", "celu", "silu", "tanh", "sigmoid", "gelu", "sine", "huber", "abs",
        "square", "logcosh", "softplus0", "log_student", "exp", "identity", "clip"};
    nrx_net *n;
    nrx_net_conv_desc c;
    nrx_net_dense_desc e;
    size_t i;
    int a, b;
    for (i = 0; i < sizeof names / sizeof names[0]; i++) { /* conv, then the function, then conv */
        int kind = (int)i, kinks = kind == NRX_NET_RELU || kind == NRX_NET_LEAKY_RELU || kind == NRX_NET_ABS || kind == NRX_NET_CLIP || kind == NRX_NET_HUBER || kind == NRX_NET_SMOOTH_RELU || kind == NRX_NET_ELU || kind == NRX_NET_CELU;
        n = graph(1);
        memset(&c, 0, sizeof c);
        c.channels = 3;
        a = nrx_net_activation(n, nrx_net_conv2d(n, 0, &c), kind, kind == NRX_NET_SMOOTH_RELU || kind == NRX_NET_HUBER ? 0.5 : kind == NRX_NET_CLIP ? -0.3 : 0, kind == NRX_NET_CLIP ? 0.4 : 0);
        c.channels = 2;
        (void)nrx_net_conv2d(n, a, &c);
        finish(n, names[i], 2, 5, 7, 1, 2e-3, kinks ? 2 : 0);
    }
    for (i = 0; i < 14; i++) { /* convolution and its transpose in all their ways */
        static const struct { size_t ci, co, k, kh, s, d, g; int mode; size_t pad; int transpose; int weights; } t[14] = {
            {1, 2, 5, 0, 1, 1, 1, NRX_NET_PAD_ZERO, 0, 0, 0}, {2, 4, 3, 0, 2, 1, 2, NRX_NET_PAD_ZERO, 0, 0, 0}, {4, 6, 3, 5, 1, 2, 2, NRX_NET_PAD_CIRCULAR, 0, 0, 0},
            {3, 5, 5, 3, 3, 1, 1, NRX_NET_PAD_REFLECT, 0, 0, 0}, {2, 3, 3, 0, 2, 2, 1, NRX_NET_PAD_REPLICATE, 0, 0, 0}, {1, 3, 4, 3, 2, 1, 1, NRX_NET_PAD_VALID, 0, 0, 0},
            {3, 3, 3, 1, 1, 1, 3, NRX_NET_PAD_ZERO, 0, 0, NRX_NET_W_ZERO_MEAN}, {2, 3, 3, 0, 1, 1, 1, NRX_NET_PAD_ZERO, 3, 0, NRX_NET_W_EXP}, {9, 8, 3, 0, 1, 1, 1, NRX_NET_PAD_ZERO, 0, 0, NRX_NET_W_SOFTPLUS},
            {8, 16, 5, 0, 1, 1, 1, NRX_NET_PAD_CIRCULAR, 0, 0, 0}, {2, 3, 3, 0, 2, 1, 1, NRX_NET_PAD_ZERO, 1, 1, 0}, {4, 2, 2, 0, 2, 1, 2, NRX_NET_PAD_VALID, 0, 1, 0},
            {3, 2, 5, 0, 1, 2, 1, NRX_NET_PAD_ZERO, 0, 1, 0}, {2, 2, 3, 0, 3, 1, 1, NRX_NET_PAD_VALID, 0, 1, 0}};
        n = graph(t[i].ci);
        memset(&c, 0, sizeof c);
        c.channels = t[i].co; c.kernel = t[i].k; c.kernel_height = t[i].kh; c.stride = t[i].s; c.dilation = t[i].d; c.groups = t[i].g;
        c.padding = t[i].mode; c.pad = t[i].pad; c.weights = t[i].weights;
        a = nrx_net_activation(n, 0, NRX_NET_TANH, 0, 0);
        a = t[i].transpose ? nrx_net_conv_transpose2d(n, a, &c) : nrx_net_conv2d(n, a, &c);
        (void)nrx_net_activation(n, a, NRX_NET_SOFTPLUS, 0, 0);
        finish(n, t[i].transpose ? "transposed convolution" : "convolution", 2, 11, 13, 1, 2e-3, 0);
    }
    memset(&c, 0, sizeof c);
    memset(&e, 0, sizeof e);
    n = graph(2); /* a convolution's transpose joined where an adjoint is already there */
    c.channels = 2; c.stride = 2;
    a = nrx_net_conv2d(n, 0, &c);
    c.pad = 1; c.output_padding = 1;
    b = nrx_net_conv_transpose2d(n, a, &c);
    b = nrx_net_add(n, b, nrx_net_resize(n, a, 2, 0), 1, 0.5);
    (void)nrx_net_activation(n, b, NRX_NET_SILU, 0, 0);
    finish(n, "transpose beside another consumer", 2, 6, 8, 1, 2e-3, 0);
    for (i = 3; i <= 5; i += 2) { /* Winograd both ways */
        n = graph(9);
        memset(&c, 0, sizeof c);
        c.channels = 10; c.kernel = i;
        (void)nrx_net_activation(n, nrx_net_conv2d(n, nrx_net_activation(n, 0, NRX_NET_TANH, 0, 0), &c), NRX_NET_SOFTPLUS, 0, 0);
        finish(n, "wide convolution", 2, 11, 29, 1, 2e-3, 0);
    }
    memset(&c, 0, sizeof c);
    n = graph(2);
    e.inputs = 2 * 3 * 5; e.features = 7;
    a = nrx_net_activation(n, nrx_net_dense(n, 0, &e), NRX_NET_TANH, 0, 0);
    e.inputs = 7; e.features = 3; e.weights = NRX_NET_W_EXP;
    (void)nrx_net_dense(n, a, &e);
    finish(n, "dense", 3, 3, 5, 1, 2e-3, 0);
    n = graph(3);
    a = nrx_net_ridge(n, nrx_net_scale(n, 0, 0.01), 0, log(6.0), 1.5, -1, 1, NULL); /* inside all corners: smooth there */
    finish(n, "ridge inside", 2, 5, 6, 1, 2e-3, 0);
    n = graph(3);
    a = nrx_net_ridge(n, nrx_net_scale(n, 0, 0.1), 1, log(6.0), 1.5, -1, 1, NULL);
    finish(n, "ridge", 2, 5, 6, 1, 2e-2, 2);
    for (i = 0; i < 2; i++) {
        n = graph(2);
        a = nrx_net_spline(n, 0, 9, 0.8, (int)i, NRX_NET_TANH, 0, NULL);
        finish(n, i ? "integrated spline" : "spline", 2, 5, 6, 1, 2e-2, 2);
    }
    n = graph(3);
    a = nrx_net_bias(n, nrx_net_scale_learned(n, 0, 1, NRX_NET_W_SOFTPLUS, 0.7, 1, NULL), NULL);
    b = nrx_net_scale_learned(n, a, 0, NRX_NET_W_EXP, 1.3, 1, NULL);
    (void)nrx_net_multiply(n, nrx_net_activation(n, a, NRX_NET_TANH, 0, 0), b);
    finish(n, "bias, scales, product", 2, 4, 5, 1, 2e-3, 0);
    n = graph(4);
    a = nrx_net_concat(n, nrx_net_slice(n, 0, 2, 2), nrx_net_activation(n, nrx_net_slice(n, 0, 0, 3), NRX_NET_TANH, 0, 0));
    a = nrx_net_avg_pool(n, a, 2);
    a = nrx_net_resize(n, a, 3, 1);
    a = nrx_net_activation(n, a, NRX_NET_SILU, 0, 0);
    b = nrx_net_spatial_mean(n, a);
    (void)nrx_net_add(n, a, b, 1, -0.5);
    finish(n, "slice, concat, pool, resize, means", 2, 5, 7, 1, 2e-3, 0);
    n = graph(3);
    a = nrx_net_activation(n, nrx_net_max_pool(n, 0, 2), NRX_NET_TANH, 0, 0);
    (void)nrx_net_add(n, a, nrx_net_slice(n, a, 1, 1), 0.5, 2);
    finish(n, "max pool, broadcast add", 2, 6, 5, 1, 2e-3, 2);
    for (i = 0; i < 3; i++) {
        n = graph(4);
        a = nrx_net_activation(n, nrx_net_group_norm(n, 0, i == 0 ? 1 : i == 1 ? 2 : 0, 0, NULL), NRX_NET_SILU, 0, 0);
        finish(n, "group norm", 2, 3, 5, 1, 2e-3, 0);
    }
    n = graph(3);
    a = nrx_net_activation(n, nrx_net_batch_norm(n, 0, 1e-3, NULL), NRX_NET_TANH, 0, 0);
    {
        float *t = nrx_net_weights(n);
        for (i = 0; i < 3; i++) { t[i] = 1.0f + 0.2f * (float)i; t[6 + i] = 0.1f * (float)i; t[9 + i] = 0.5f + (float)i; }
    }
    /* statistics are frozen: only duality and x */
    finish(n, "batch norm", 2, 4, 3, 1, 2e-3, 2);
    n = graph(2);
    a = nrx_net_add(n, nrx_net_sqnorm(n, 0), nrx_net_mean(n, nrx_net_activation(n, 0, NRX_NET_SILU, 0, 0)), 0.25, 3);
    (void)nrx_net_add(n, a, nrx_net_sum(n, nrx_net_activation(n, 0, NRX_NET_TANH, 0, 0)), 1, 0.1);
    finish(n, "sums and norms", 3, 4, 5, 1, 2e-3, 0);
}

/* An operator: a fixed 6 x 12 matrix. */
static nrx_status apply(void *user, const void *x, void *y)
{
    const float *m = (const float *)user, *in = (const float *)x;
    float *out = (float *)y;
    size_t i, j;
    for (i = 0; i < 6; i++) for (out[i] = 0, j = 0; j < 12; j++) out[i] += m[i * 12 + j] * in[j];
    return NRX_OK;
}
static nrx_status adjoint(void *user, const void *y, void *x)
{
    const float *m = (const float *)user, *in = (const float *)y;
    float *out = (float *)x;
    size_t i, j;
    for (j = 0; j < 12; j++) for (out[j] = 0, i = 0; i < 6; i++) out[j] += m[i * 12 + j] * in[i];
    return NRX_OK;
}

static void networks(void)
{
    nrx_net *n = NULL;
    nrx_net_icnn_desc d = NRX_ZERO;
    nrx_net_cnn_desc c = NRX_ZERO;
    nrx_net_crr_desc r = NRX_ZERO;
    nrx_net_lpn_desc l = NRX_ZERO;
    nrx_net_unrolled_desc u = NRX_ZERO;
    nrx_linop op = NRX_ZERO;
    float *m = noise(72, 1);
    d.layers = 3; d.channels = 4; d.quadratic = 0.01; d.filter_bank = 1; d.activation = NRX_NET_SOFTPLUS; d.seed = 5;
    CHECK(nrx_net_icnn(&d, &n) == NRX_OK); finish(n, "icnn", 2, 9, 11, 1, 5e-3, 2);
    d.filter_bank = 0;
    CHECK(nrx_net_icnn(&d, &n) == NRX_OK); finish(n, "smooth icnn", 2, 9, 11, 1, 5e-3, 0);
    CHECK(nrx_net_iwcnn(&d, &n) == NRX_OK); finish(n, "iwcnn", 2, 9, 11, 1, 5e-3, 0);
    /* two softplus networks share a large constant, and their difference in f32 is mostly rounding: ELU has none (the tape test takes softplus) */
    d.activation = 0;
    CHECK(nrx_net_idcnn(&d, &n) == NRX_OK); finish(n, "idcnn", 2, 9, 11, 1, 5e-3, 2);
    d.activation = NRX_NET_SOFTPLUS;
    r.filters = 5;
    CHECK(nrx_net_crr(&r, &n) == NRX_OK); finish(n, "crr", 2, 9, 11, 0.01, 1e-2, 2);
    c.channels = 4; c.scales = 2; c.layers = 1; c.norm = 1; c.activation = NRX_NET_SILU; c.blocks = 1;
    CHECK(nrx_net_unet(&c, &n) == NRX_OK); finish(n, "unet", 2, 6, 10, 1, 5e-3, 2);
    c.layers = 3; c.norm = 0;
    CHECK(nrx_net_dncnn(&c, &n) == NRX_OK); finish(n, "dncnn", 2, 6, 10, 1, 5e-3, 0);
    CHECK(nrx_net_drunet(&c, &n) == NRX_OK); finish(n, "drunet", 2, 6, 10, 1, 5e-3, 0);
    CHECK(nrx_net_gradient_step(&c, &n) == NRX_OK); finish(n, "gradient step", 2, 6, 10, 1, 5e-3, 0);
    CHECK(nrx_net_nett(&c, &n) == NRX_OK); finish(n, "nett", 2, 6, 10, 1, 5e-3, 0);
    CHECK(nrx_net_lar(&c, &n) == NRX_OK); finish(n, "lar", 2, 6, 10, 1, 5e-3, 0);
    CHECK(nrx_net_ar(&c, &n) == NRX_OK); finish(n, "ar", 2, 8, 10, 1, 5e-3, 0);
    CHECK(nrx_net_tdv(&c, &n) == NRX_OK); finish(n, "tdv", 2, 6, 10, 1, 5e-3, 0);
    l.inputs = 3; l.features = 9;
    CHECK(nrx_net_lpn(&l, &n) == NRX_OK); finish(n, "lpn", 4, 1, 1, 1, 5e-3, 2);
    op.apply = apply; op.adjoint = adjoint; op.user = m; op.rows = 6; op.cols = 12; op.dtype = NRX_F32; op.norm = 4;
    u.op = &op; u.height = 3; u.width = 4; u.data_height = 2; u.data_width = 3; u.iterations = 2; u.channels = 3; u.memory = 2;
    CHECK(nrx_net_lpd(&u, &n) == NRX_OK); finish(n, "lpd", 2, 2, 3, 1, 1e-2, 2);
    CHECK(nrx_net_learned_gradient(&u, &n) == NRX_OK); finish(n, "learned gradient", 2, 2, 3, 1, 1e-2, 2);
    d.layers = 2; d.kernel = 3;
    CHECK(nrx_net_acncr(&u, &d, &d, &n) == NRX_OK); finish(n, "acncr", 2, 3, 4, 1, 5e-3, 0);
    free(m);
}

static nrx_status whole_call(const nrx_env *env)
{
    nrx_net_icnn_desc d = NRX_ZERO;
    nrx_net_functional_desc fd = NRX_ZERO;
    nrx_functional f;
    nrx_net *n;
    nrx_status s;
    float x[64] = {0.5f};
    double v;
    d.env = *env;
    d.layers = 2; d.channels = 2; d.quadratic = 0.1;
    s = nrx_net_icnn(&d, &n);
    if (s != NRX_OK) return s;
    fd.env = *env;
    s = nrx_net_functional(n, 8, 8, &fd, &f);
    if (s == NRX_OK) { s = f.eval(f.user, x, &v, x); nrx_net_functional_free(&f); }
    nrx_net_free(n);
    return s;
}

#if defined(NRX_TEST_THREADS) || defined(NRX_TEST_REPRODUCIBLE)
static void checksums(void)
{
    int workers = 0;
    nrx_net_icnn_desc d = NRX_ZERO;
    nrx_net_plan_desc pd = NRX_ZERO;
    nrx_net_plan *p;
    nrx_net *n;
    float *x = noise(3 * 33 * 41, 1), *g = noise(3 * 33 * 41, 1), y[3];
#ifdef NRX_TEST_POOL
    NRX_TEST_POOL_ENV(d.env, workers);
#endif
    d.layers = 3; d.channels = 6; d.seed = 9;
    if (nrx_net_icnn(&d, &n) != NRX_OK) { CHECK_ALWAYS(0); free(x); free(g); return; }
    pd.n = 3; pd.height = 33; pd.width = 41; pd.mode = NRX_NET_GRADIENT;
    CHECK_ALWAYS(nrx_net_plan_create(n, &pd, &p) == NRX_OK);
    CHECK_ALWAYS(nrx_net_forward(p, x, y) == NRX_OK && nrx_net_backward(p, NULL, g, nrx_net_grad(n)) == NRX_OK);
    nrx_test_checksum("icnn_value", y, sizeof y);
    nrx_test_checksum("icnn_gradient", g, 3 * 33 * 41 * sizeof *g);
    nrx_test_checksum("icnn_weights", nrx_net_grad(n), nrx_net_param_count(n) * sizeof *g);
    nrx_net_plan_free(p);
    nrx_net_free(n);
    (void)workers;
    free(x); free(g);
}
#endif

int main(void)
{
#if defined(NRX_TEST_ALLOC)
    nrx_env env = NRX_ZERO;
    nrx_test_heap heap;
    NRX_TEST_EACH_ALLOC(env, heap, whole_call(&env), (void)0);
#elif defined(NRX_TEST_THREADS) || defined(NRX_TEST_REPRODUCIBLE)
    checksums();
#else
    nrx_env env = NRX_ZERO;
    size_t k;
    int mode;
    conv_case(1, 1, 3, 7, 9, 3, 3, 1, 1, 1, NRX_NET_PAD_ZERO, 0);
    conv_case(2, 4, 6, 13, 30, 5, 5, 1, 1, 2, NRX_NET_PAD_CIRCULAR, 0);
    conv_case(2, 3, 5, 12, 33, 3, 5, 2, 1, 1, NRX_NET_PAD_REFLECT, 0);
    conv_case(1, 2, 9, 11, 50, 3, 3, 1, 3, 1, NRX_NET_PAD_REPLICATE, 0);
    conv_case(1, 2, 1, 9, 100, 4, 2, 3, 2, 1, NRX_NET_PAD_ZERO, 2);
    conv_case(2, 8, 8, 1, 65, 1, 7, 1, 1, 8, NRX_NET_PAD_ZERO, 0);
    conv_case(1, 16, 12, 19, 23, 5, 5, 1, 1, 1, NRX_NET_PAD_ZERO, 0);
    conv_case(1, 16, 12, 20, 41, 3, 3, 1, 1, 1, NRX_NET_PAD_REPLICATE, 0);
    conv_case(1, 3, 4, 8, 8, 8, 8, 1, 1, 1, NRX_NET_PAD_VALID, 0);
    for (k = 3; k <= 5; k += 2) /* wide enough for Winograd tiles, with odd ends */
        for (mode = NRX_NET_PAD_ZERO; mode <= NRX_NET_PAD_VALID; mode++) {
            conv_case(2, 9, 11, 13, 31, k, k, 1, 1, 1, mode, 0);
            conv_case(1, 16, 8, 30, 53, k, k, 1, 1, 1, mode, mode == NRX_NET_PAD_ZERO ? 1 : 0);
        }
    layers();
    networks();
    CHECK(whole_call(&env) == NRX_OK);
#endif
    (void)whole_call;
    return nrx_test_end();
}
