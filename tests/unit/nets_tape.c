/* SPDX-License-Identifier: MIT-0 OR Unlicense
   Every layer against the tape of nrx_tensor.h in f64: a mirror walks the graph and builds each node from tensor operations; then values, tangents,
   gradients and the backward of the tangent (in the input, its direction and all parameters) are compared. Convolutions at random odd sizes,
   strides, dilations, groups and paddings; all pointwise functions; all ready-made networks. */
#include "../nrx_test.h"
#define NRX_TENSOR_IMPLEMENTATION
#include "nrx_tensor.h"
#define NRX_NETS_IMPLEMENTATION
#include "nrx_nets.h"

enum { MAX_NODES = 200, MAX_PARAMS = 200 };
#define HW (NRX_AXIS(2) | NRX_AXIS(3))
#define CHW (NRX_AXIS(1) | HW)
static nrx_test_rng rng = {99};

static float *noise(size_t n, double scale)
{
    float *x = (float *)malloc((n ? n : 1) * sizeof *x);
    size_t i;
    for (i = 0; i < n; i++) x[i] = (float)(scale * nrx_test_signed(&rng));
    return x;
}

static nrx_tensor *wide(nrx_scope *s, nrx_shape shape, const float *x) { return nrx_t_cast(nrx_t_from(s, NRX_F32, shape, x), NRX_F64); }

/* ---- the mirror ---- */

static nrx_tensor *channel(nrx_tensor *w) { return nrx_t_reshape(w, nrx_s4(1, NRX_AUTO, 1, 1)); }

static nrx_tensor *huber(nrx_tensor *t, double a) /* t^2/(2a) inside, |t| - a/2 outside */
{
    nrx_tensor *m = nrx_t_abs(t);
    return nrx_t_where(nrx_t_le(m, nrx_t_full(t->scope, NRX_F64, nrx_t_shape(t), a)), nrx_t_scale(nrx_t_square(t), 0.5 / a), nrx_t_shift(m, -0.5 * a));
}

static nrx_tensor *pointwise(nrx_tensor *x, int kind, double a, double b)
{
    nrx_scope *s = x->scope;
    nrx_tensor *zero = nrx_t_zeros(s, NRX_F64, nrx_t_shape(x));
    switch (kind) {
    case NRX_NET_RELU: return nrx_t_relu(x);
    case NRX_NET_LEAKY_RELU: return nrx_t_leaky_relu(x, a);
    case NRX_NET_SMOOTH_RELU:
        return nrx_t_where(nrx_t_le(x, zero), zero, nrx_t_where(nrx_t_lt(x, nrx_t_full(s, NRX_F64, nrx_t_shape(x), a)),
            nrx_t_scale(nrx_t_square(x), 0.5 / a), nrx_t_shift(x, -0.5 * a)));
    case NRX_NET_SOFTPLUS: return nrx_t_scale(nrx_t_softplus(nrx_t_scale(x, a)), 1 / a);
    case NRX_NET_ELU: return nrx_t_elu(x, a);
    case NRX_NET_CELU: return nrx_t_where(nrx_t_gt(x, zero), x, nrx_t_scale(nrx_t_expm1(nrx_t_scale(nrx_t_minimum(x, zero), 1 / a)), a));
    case NRX_NET_SILU: return nrx_t_silu(x);
    case NRX_NET_TANH: return nrx_t_tanh(x);
    case NRX_NET_SIGMOID: return nrx_t_sigmoid(x);
    case NRX_NET_GELU: return nrx_t_gelu(x);
    case NRX_NET_SINE: return nrx_t_sin(nrx_t_scale(x, a));
    case NRX_NET_HUBER: return huber(x, a);
    case NRX_NET_ABS: return nrx_t_abs(x);
    case NRX_NET_SQUARE: return nrx_t_square(x);
    case NRX_NET_LOGCOSH: return nrx_t_scale(nrx_t_log(nrx_t_cosh(nrx_t_scale(x, a))), 1 / a);
    case NRX_NET_SOFTPLUS0: return nrx_t_shift(nrx_t_softplus(x), -log(2.0));
    case NRX_NET_LOG_STUDENT: return nrx_t_scale(nrx_t_log1p(nrx_t_scale(nrx_t_square(x), a)), 0.5);
    case NRX_NET_EXP: return nrx_t_exp(x);
    case NRX_NET_CLIP: return nrx_t_clamp(x, a, b);
    default: return nrx_t_scale(x, 1);
    }
}

/* Linear spline as slopes that change at the knots; or its integral from 0. */
static nrx_tensor *spline(nrx_tensor *x, nrx_tensor *c, size_t knots, double range, int integrated)
{
    double h = 2 * range / (double)(knots - 1);
    nrx_tensor *y = NULL, *at0 = NULL, *slope = NULL;
    size_t k;
    for (k = 0; k + 1 < knots; k++) {
        double t = -range + h * (double)k;
        nrx_tensor *a = channel(nrx_t_select(c, 1, (ptrdiff_t)k)), *b = channel(nrx_t_select(c, 1, (ptrdiff_t)k + 1)), *next = nrx_t_scale(nrx_t_sub(b, a), 1 / h);
        nrx_tensor *ramp, *ramp0, *turn = slope ? nrx_t_sub(next, slope) : next, *zero = nrx_t_zeros(x->scope, NRX_F64, nrx_s4(1, 1, 1, 1));
        slope = next;
        ramp = nrx_t_shift(x, -t);
        ramp0 = nrx_t_shift(zero, -t);
        if (k) { ramp = nrx_t_relu(ramp); ramp0 = nrx_t_relu(ramp0); }
        if (integrated) { ramp = nrx_t_scale(nrx_t_square(ramp), 0.5); ramp0 = nrx_t_scale(nrx_t_square(ramp0), 0.5); }
        if (!k) { y = integrated ? nrx_t_mul(a, x) : nrx_t_add(a, nrx_t_zeros(x->scope, NRX_F64, nrx_t_shape(x))); at0 = nrx_t_mul(a, zero); }
        y = nrx_t_add(y, nrx_t_mul(turn, ramp));
        at0 = nrx_t_add(at0, nrx_t_mul(turn, ramp0));
    }
    return integrated ? nrx_t_sub(y, at0) : y;
}

static nrx_tensor *spectral(nrx_tensor *x, nrx_tensor *w, size_t my, size_t mx)
{
    size_t h = x->shape[2], wd = x->shape[3], ci = x->shape[1], rows = my ? 2 * my : 1, k;
    double *factor = (double *)malloc(mx * sizeof *factor);
    nrx_tensor *z = nrx_t_slice(nrx_t_fft(nrx_t_complex(x, NULL), HW), 3, 0, (ptrdiff_t)mx, 1), *part[2], *f, *low, *high = NULL;
    part[0] = nrx_t_slice(z, 2, 0, (ptrdiff_t)(my ? my : 1), 1);
    part[1] = nrx_t_slice(z, 2, (ptrdiff_t)(h - my), (ptrdiff_t)h, 1);
    z = my ? nrx_t_concat(part, 2, 2) : part[0];
    w = nrx_t_reshape(w, nrx_s(6, (const size_t[6]){1, w->shape[0], ci, rows, mx, 2}));
    z = nrx_t_sum(nrx_t_complex_mul(nrx_t_unsqueeze(z, 1), w), NRX_AXIS(2), 0);
    for (k = 0; k < mx; k++) factor[k] = k == 0 || 2 * k == wd ? 1 : 2; /* the conjugate half */
    f = nrx_t_from(x->scope, NRX_F64, nrx_s5(1, 1, 1, mx, 1), factor);
    free(factor);
    z = nrx_t_pad(nrx_t_mul(z, f), 3, 0, wd - mx, NRX_PAD_ZERO, 0);
    low = nrx_t_pad(nrx_t_slice(z, 2, 0, (ptrdiff_t)(my ? my : 1), 1), 2, 0, h - (my ? my : 1), NRX_PAD_ZERO, 0);
    if (my) high = nrx_t_pad(nrx_t_slice(z, 2, (ptrdiff_t)my, (ptrdiff_t)rows, 1), 2, h - my, 0, NRX_PAD_ZERO, 0);
    return nrx_t_real(nrx_t_ifft(high ? nrx_t_add(low, high) : low, HW));
}

static nrx_tensor *op_matrix(nrx_scope *s, const nrxi_net_layer *l)
{
    size_t in = l->adjoint ? l->op.rows : l->op.cols, out = l->adjoint ? l->op.cols : l->op.rows, i;
    float *e = (float *)calloc(in, sizeof *e), *m = (float *)malloc(in * out * sizeof *m);
    nrx_tensor *t;
    for (i = 0; i < in; i++) {
        e[i] = 1;
        CHECK((l->adjoint ? l->op.adjoint : l->op.apply)(l->op.user, e, m + i * out) == NRX_OK);
        e[i] = 0;
    }
    t = nrx_t_scale(wide(s, nrx_s2(in, out), m), l->a);
    free(e); free(m);
    return t;
}

static nrx_tensor *mirror_node(const nrx_net *net, size_t i, nrx_tensor *const *node, nrx_tensor *const *param)
{
    static const int pads[4] = {NRX_PAD_ZERO, NRX_PAD_CIRCULAR, NRX_PAD_REFLECT, NRX_PAD_REPLICATE};
    const nrxi_net_layer *l = net->layer + i;
    nrx_tensor *x = node[l->in[0]], *y = l->in[1] >= 0 ? node[l->in[1]] : NULL, *p[4], *t;
    nrx_conv o;
    size_t n = x->shape[0];
    int k;
    memset(&o, 0, sizeof o);
    for (k = 0; k < 4; k++) p[k] = l->param[k] >= 0 ? param[l->param[k]] : NULL;
    o.stride[0] = o.stride[1] = l->stride; o.dilation[0] = o.dilation[1] = l->dilation; o.groups = l->groups;
    switch (l->kind) {
    case NRXI_NET_CONV:
        x = nrx_t_pad(nrx_t_pad(x, 2, l->pad_y, l->pad_y, pads[l->padding], 0), 3, l->pad_x, l->pad_x, pads[l->padding], 0);
        return nrx_t_conv2d(x, p[0], p[1] ? nrx_t_flatten(p[1], 0, -1) : NULL, &o);
    case NRXI_NET_CONVT:
        o.padding[0] = l->pad_y; o.padding[1] = l->pad_x;
        o.output_padding[0] = l->out_pad; o.output_padding[1] = l->kw > 1 || l->stride > 1 ? l->out_pad : 0;
        return nrx_t_conv_transpose2d(x, p[0], p[1] ? nrx_t_flatten(p[1], 0, -1) : NULL, &o);
    case NRXI_NET_DENSE:
        t = nrx_t_matmul(nrx_t_reshape(x, nrx_s2(n, NRX_AUTO)), nrx_t_transpose(p[0], 0, 1));
        if (p[1]) t = nrx_t_add(t, nrx_t_reshape(p[1], nrx_s2(1, NRX_AUTO)));
        return nrx_t_reshape(t, nrx_s4(n, NRX_AUTO, 1, 1));
    case NRXI_NET_ACT: return pointwise(x, l->act, l->a, l->b);
    case NRXI_NET_RIDGE: {
        nrx_tensor *s = channel(nrx_t_exp(p[0])), *q = channel(nrx_t_exp(p[1])), *alpha = channel(nrx_t_exp(p[2])), *u = nrx_t_mul(x, s);
        t = nrx_t_sub(nrx_t_div(huber(nrx_t_mul(u, q), 1), q), nrx_t_scale(huber(u, 1), l->a));
        return nrx_t_mul(t, nrx_t_div(alpha, nrx_t_square(s)));
    }
    case NRXI_NET_SPLINE: return spline(x, p[0], l->knots, l->a, l->adjoint);
    case NRXI_NET_BIAS: return nrx_t_add(x, channel(p[0]));
    case NRXI_NET_ADD: return y ? nrx_t_add(nrx_t_scale(x, l->a), nrx_t_scale(y, l->b)) : nrx_t_scale(x, l->a);
    case NRXI_NET_GAIN: return nrx_t_mul(x, channel(p[0]));
    case NRXI_NET_MUL: return nrx_t_mul(x, y);
    case NRXI_NET_CONCAT: { nrx_tensor *both[2]; both[0] = x; both[1] = y; return nrx_t_concat(both, 2, 1); }
    case NRXI_NET_SLICE: return nrx_t_slice(x, 1, (ptrdiff_t)l->first, (ptrdiff_t)(l->first + l->channels), 1);
    case NRXI_NET_AVGPOOL: return nrx_t_avg_pool2d(x, l->first, l->first, 0);
    case NRXI_NET_MAXPOOL: return nrx_t_max_pool2d(x, l->first, l->first, 0);
    case NRXI_NET_SUM: return nrx_t_sum(x, CHW, 1);
    case NRXI_NET_MEAN: return nrx_t_mean(x, CHW, 1);
    case NRXI_NET_SPATIAL_MEAN: return nrx_t_mean(x, HW, 1);
    case NRXI_NET_RESIZE: return nrx_t_resize2d(x, x->shape[2] * l->first, x->shape[3] * l->first, l->adjoint ? NRX_BILINEAR : NRX_NEAREST, 0);
    case NRXI_NET_GROUPNORM: { /* by hand: mean and variance of each group */
        nrx_tensor *g = nrx_t_reshape(x, nrx_s3(n, l->groups, NRX_AUTO));
        g = nrx_t_mul(nrx_t_sub(g, nrx_t_mean(g, NRX_AXIS(2), 1)), nrx_t_rsqrt(nrx_t_shift(nrx_t_var(g, NRX_AXIS(2), 0, 1), l->b)));
        return nrx_t_add(nrx_t_mul(nrx_t_reshape(g, nrx_t_shape(x)), channel(p[0])), channel(p[1]));
    }
    case NRXI_NET_BATCHNORM:
        t = nrx_t_mul(nrx_t_sub(x, channel(p[2])), nrx_t_rsqrt(nrx_t_shift(channel(p[3]), l->a)));
        return nrx_t_add(nrx_t_mul(t, channel(p[0])), channel(p[1]));
    case NRXI_NET_GRID: { static const int order[4] = {0, 2, 3, 1}; return nrx_t_grid_sample(x, nrx_t_contiguous(nrx_t_permute(y, order)), 0, 0); }
    case NRXI_NET_SPECTRAL: return spectral(x, p[0], l->kh, l->kw);
    case NRXI_NET_OPERATOR:
        t = nrx_t_matmul(nrx_t_reshape(x, nrx_s3(n, x->shape[1], NRX_AUTO)), op_matrix(x->scope, l));
        return nrx_t_reshape(t, nrx_s4(n, x->shape[1], l->op_h, l->op_w));
    default: CHECK(!"a layer without a mirror"); return x;
    }
}

/* ---- comparison ---- */

static void close_to(const char *name, const char *what, const float *got, nrx_tensor *want, size_t n, double tol)
{
    double *w, worst = 0, top = 1e-30;
    size_t i;
    if (!want || want->size != n) { CHECK(!"shape of the mirror"); printf("in %s, %s\n", name, what); return; }
    w = (double *)malloc((n ? n : 1) * sizeof *w);
    CHECK(nrx_t_read(want, w) == NRX_OK);
    for (i = 0; i < n; i++) { top = fmax(top, fabs(w[i])); worst = fmax(worst, fabs(w[i] - (double)got[i])); if (!(fabs((double)got[i]) < 1e30)) worst = HUGE_VAL; }
    if (!(worst <= tol * top + 1e-7)) printf("%s, %s: off by %.3g of %.3g\n", name, what, worst, top);
    CHECK(worst <= tol * top + 1e-7);
    free(w);
}

/* All four passes of a network on both sides; frees it. */
static void both(nrx_net *net, const char *name, size_t n, size_t h, size_t w, double scale, double tol)
{
    nrx_net_plan_desc pd = NRX_ZERO;
    nrx_net_plan *p;
    nrx_scope *s;
    nrx_tensor *node[MAX_NODES], *leaf[MAX_PARAMS + 1], *used[MAX_PARAMS], *g[MAX_PARAMS + 1], *y, *ty, *phi, *u[1], *x, *v, *gy, *gdy;
    size_t shape[4], m, k, count, i, at, leaves;
    float *fx, *fv, *fgy, *fgdy, *fy, *fdy, *fgx, *fgv, *grad;
    if (nrx_net_status(net) != NRX_OK || net->layers > MAX_NODES || net->params > MAX_PARAMS) { CHECK(!"builder"); printf("in %s\n", name); nrx_net_free(net); return; }
    pd.n = n; pd.height = h; pd.width = w; pd.mode = NRX_NET_PAIR;
    if (nrx_net_plan_create(net, &pd, &p) != NRX_OK) { CHECK(!"plan"); printf("in %s\n", name); nrx_net_free(net); return; }
    nrx_net_plan_output_shape(p, shape);
    m = shape[0] * shape[1] * shape[2] * shape[3];
    k = n * h * w * net->layer[0].channels;
    count = net->count;
    fx = noise(k, scale); fv = noise(k, 1); fgy = noise(m, 1); fgdy = noise(m, 1); fy = noise(m, 1); fdy = noise(m, 1); fgx = noise(k, 1); fgv = noise(k, 1);
    grad = (float *)calloc(count + 1, sizeof *grad);
    s = nrx_t_scope_open(NULL);
    x = nrx_t_require_grad(wide(s, nrx_s4(n, net->layer[0].channels, h, w), fx), 1);
    v = wide(s, nrx_t_shape(x), fv);
    leaf[0] = x;
    for (i = 0; i < net->params; i++) {
        const nrxi_net_param *q = net->param + i;
        nrx_tensor *t = nrx_t_require_grad(wide(s, q->ndim == 4 ? nrx_s(4, q->shape) : nrx_s2(q->rows, q->cols), net->theta + q->offset), 1);
        leaf[i + 1] = t;
        used[i] = q->transform == NRX_NET_W_EXP ? nrx_t_exp(t) : q->transform == NRX_NET_W_SOFTPLUS ? nrx_t_softplus(t)
            : q->transform == NRX_NET_W_ZERO_MEAN ? nrx_t_sub(t, nrx_t_mean(t, q->ndim == 4 ? HW : NRX_AXIS(1), 1)) : t;
    }
    node[0] = x;
    for (i = 1; i <= (size_t)nrxi_net_out(net); i++) node[i] = mirror_node(net, i, node, used);
    y = node[nrxi_net_out(net)];
    leaves = 1 + net->params;
    gy = wide(s, nrx_s4(shape[0], shape[1], shape[2], shape[3]), fgy);
    gdy = wide(s, nrx_s4(shape[0], shape[1], shape[2], shape[3]), fgdy);
    /* value and tangent */
    CHECK(nrx_net_forward(p, fx, fy) == NRX_OK);
    close_to(name, "value", fy, y, m, tol);
    CHECK(nrx_net_tangent(p, fv, fdy) == NRX_OK);
    ty = nrx_t_jvp(y, &x, &v, 1);
    close_to(name, "tangent", fdy, ty, m, tol);
    /* backward */
    CHECK(nrx_net_backward(p, fgy, fgx, grad) == NRX_OK && nrx_t_vjp(y, gy, leaf, leaves, g) == NRX_OK);
    close_to(name, "gradient in x", fgx, g[0], k, tol);
    for (i = 0; i < net->params; i++) if (!net->param[i].frozen)
        close_to(name, net->param[i].name, grad + net->param[i].offset, g[i + 1], net->param[i].rows * net->param[i].cols, 2 * tol);
    /* backward of the tangent: phi = <gy, y> + <gdy, J v> = <gy, y> + <J^T gdy, v> */
    memset(grad, 0, (count + 1) * sizeof *grad);
    CHECK(nrx_net_tangent(p, fv, NULL) == NRX_OK && nrx_net_backward_tangent(p, fgy, fgdy, fgx, fgv, grad) == NRX_OK);
    CHECK(nrx_t_vjp(y, gdy, &x, 1, u) == NRX_OK);
    close_to(name, "pair, in v", fgv, u[0], k, tol);
    phi = nrx_t_add(nrx_t_sum(nrx_t_mul(gy, y), NRX_ALL_AXES, 0), nrx_t_sum(nrx_t_mul(u[0], v), NRX_ALL_AXES, 0));
    CHECK(nrx_t_grad(phi, leaf, leaves, g) == NRX_OK);
    close_to(name, "pair, in x", fgx, g[0], k, 4 * tol);
    for (i = 0, at = 0; i < net->params; i++) if (!net->param[i].frozen) {
        close_to(name, net->param[i].name, grad + net->param[i].offset, g[i + 1], net->param[i].rows * net->param[i].cols, 4 * tol);
        at++;
    }
    CHECK(nrx_t_status(s) == NRX_OK);
    nrx_t_scope_close(s);
    nrx_net_plan_free(p);
    nrx_net_free(net);
    free(fx); free(fv); free(fgy); free(fgdy); free(fy); free(fdy); free(fgx); free(fgv); free(grad);
}

static nrx_net *graph(size_t channels)
{
    nrx_net *n = NULL;
    nrx_net_desc d = NRX_ZERO;
    d.channels = channels;
    d.seed = 17;
    CHECK(nrx_net_create(&d, &n) == NRX_OK);
    return n;
}

static size_t pick(const size_t *from, size_t n) { return from[nrx_test_below(&rng, n)]; }

static void convolutions(int cases)
{
    static const size_t sizes[6] = {5, 7, 9, 11, 13, 29}, kernels[5] = {1, 2, 3, 5, 7}, strides[4] = {1, 1, 2, 3}, dilations[4] = {1, 1, 2, 3}, groups[4] = {1, 1, 2, 3}, per[4] = {1, 2, 3, 9};
    static const int weights[5] = {NRX_NET_W_FREE, NRX_NET_W_FREE, NRX_NET_W_ZERO_MEAN, NRX_NET_W_EXP, NRX_NET_W_SOFTPLUS};
    int c;
    for (c = 0; c < cases; c++) {
        nrx_net_conv_desc d = NRX_ZERO;
        size_t g = pick(groups, 4), ci = g * pick(per, 4), h = pick(sizes, 6), w = pick(sizes, 6), span_y, span_x;
        int transpose = c % 4 == 3, a;
        char name[160];
        nrx_net *n;
        d.channels = g * pick(per, 4); d.groups = g; d.kernel = pick(kernels, 5); d.kernel_height = pick(kernels, 5);
        d.stride = pick(strides, 4); d.dilation = pick(dilations, 4); d.padding = transpose ? (c % 8 == 3 ? NRX_NET_PAD_ZERO : NRX_NET_PAD_VALID) : (int)nrx_test_below(&rng, 5);
        d.weights = weights[nrx_test_below(&rng, 5)]; d.no_bias = c % 3 == 0;
        if (transpose && d.stride > 1 && d.padding == NRX_NET_PAD_ZERO) d.output_padding = 1;
        span_y = (d.kernel_height - 1) * d.dilation; span_x = (d.kernel - 1) * d.dilation;
        if (span_y >= h || span_x >= w || (transpose && d.padding == NRX_NET_PAD_ZERO && (span_y % 2 || span_x % 2))) { c--; continue; }
        n = graph(ci);
        sprintf(name, "%s %lu->%lu of %lux%lu, kernel %lux%lu, stride %lu, dilation %lu, groups %lu, padding %d, weights %d", transpose ? "transpose" : "conv", (unsigned long)ci,
            (unsigned long)d.channels, (unsigned long)h, (unsigned long)w, (unsigned long)d.kernel_height, (unsigned long)d.kernel, (unsigned long)d.stride, (unsigned long)d.dilation,
            (unsigned long)g, d.padding, d.weights);
        a = nrx_net_activation(n, 0, NRX_NET_TANH, 0, 0);
        a = transpose ? nrx_net_conv_transpose2d(n, a, &d) : nrx_net_conv2d(n, a, &d);
        (void)nrx_net_activation(n, a, NRX_NET_SOFTPLUS, 0, 0);
        both(n, name, 1 + (size_t)(c % 3), h, w, 1, 1e-5);
    }
}

static void layers(void)
{
    nrx_net *n;
    nrx_net_conv_desc c = NRX_ZERO;
    nrx_net_dense_desc e = NRX_ZERO;
    int kind, a, b, i;
    for (kind = 0; kind <= NRX_NET_CLIP; kind++) {
        char name[40];
        double pa = kind == NRX_NET_SMOOTH_RELU || kind == NRX_NET_HUBER ? 0.5 : kind == NRX_NET_CLIP ? -0.3 : kind == NRX_NET_SINE || kind == NRX_NET_SOFTPLUS || kind == NRX_NET_LOGCOSH ? 2 : kind == NRX_NET_CELU || kind == NRX_NET_ELU ? 0.7 : 0;
        n = graph(2);
        c.channels = 3; c.kernel = 3;
        sprintf(name, "pointwise function %d", kind);
        (void)nrx_net_conv2d(n, nrx_net_activation(n, nrx_net_conv2d(n, 0, &c), kind, pa, kind == NRX_NET_CLIP ? 0.4 : 0), &c);
        both(n, name, 2, 5, 7, 1.5, 1e-5);
    }
    n = graph(3);
    e.inputs = 3 * 5 * 7; e.features = 11;
    a = nrx_net_activation(n, nrx_net_dense(n, 0, &e), NRX_NET_TANH, 0, 0);
    e.inputs = 11; e.features = 3; e.weights = NRX_NET_W_EXP; e.no_bias = 1;
    a = nrx_net_activation(n, nrx_net_dense(n, a, &e), NRX_NET_SILU, 0, 0);
    e.inputs = 3; e.weights = NRX_NET_W_ZERO_MEAN;
    (void)nrx_net_dense(n, a, &e);
    both(n, "dense", 5, 5, 7, 1, 1e-5);
    for (i = 8; i < 300; i += 97) { /* batches that run feature by feature */
        memset(&e, 0, sizeof e);
        n = graph(3);
        e.features = 101;
        a = nrx_net_activation(n, nrx_net_dense(n, 0, &e), i == 8 ? NRX_NET_TANH : i == 105 ? NRX_NET_SIGMOID : NRX_NET_SOFTPLUS, 0, 0);
        e.features = 6; e.weights = NRX_NET_W_SOFTPLUS;
        a = nrx_net_batch_norm(n, nrx_net_dense(n, a, &e), 0, NULL);
        b = nrx_net_concat(n, nrx_net_slice(n, a, 1, 3), nrx_net_scale_learned(n, nrx_net_bias(n, 0, NULL), 1, 0, 0.8, 1, NULL));
        a = nrx_net_add(n, nrx_net_multiply(n, a, b), nrx_net_ridge(n, a, 1, 0, 1, 0, 1, NULL), 0.7, -1.2);
        a = nrx_net_add(n, a, nrx_net_spline(n, b, 7, 1, 0, NRX_NET_TANH, 0, NULL), 1, 1);
        b = nrx_net_mean(n, a);
        a = nrx_net_activation(n, nrx_net_sum(n, nrx_net_activation(n, a, NRX_NET_SQUARE, 0, 0)), NRX_NET_LOG_STUDENT, 0, 0);
        (void)nrx_net_add(n, a, nrx_net_activation(n, b, NRX_NET_EXP, 0, 0), 1, 0.5);
        both(n, "dense, by features", (size_t)i, 1, 1, 1, 2e-5);
    }
    memset(&e, 0, sizeof e);
    n = graph(2);
    e.features = 100;
    a = nrx_net_activation(n, nrx_net_dense(n, 0, &e), NRX_NET_TANH, 0, 0);
    e.features = 1;
    (void)nrx_net_dense(n, a, &e);
    both(n, "potential 2-100-1", 256, 1, 1, 1, 1e-5);
    for (i = 0; i < 2; i++) {
        n = graph(3);
        (void)nrx_net_ridge(n, nrx_net_scale(n, 0, 0.3), i, log(6.0), 1.5, -1, 1, NULL);
        both(n, "ridge", 2, 5, 9, 1, 1e-5);
        n = graph(2);
        (void)nrx_net_spline(n, 0, 9, 0.8, i, NRX_NET_TANH, 0, NULL);
        both(n, i ? "integrated spline" : "spline", 2, 5, 7, 1.2, 2e-5);
        n = graph(4);
        (void)nrx_net_activation(n, nrx_net_resize(n, nrx_net_max_pool(n, 0, 2), 3, i), NRX_NET_TANH, 0, 0);
        both(n, "max pool, resize", 2, 7, 9, 1, 1e-5);
    }
    n = graph(3);
    a = nrx_net_bias(n, nrx_net_scale_learned(n, 0, 1, NRX_NET_W_SOFTPLUS, 0.7, 1, NULL), NULL);
    b = nrx_net_scale_learned(n, a, 0, NRX_NET_W_EXP, 1.3, 1, NULL);
    (void)nrx_net_multiply(n, nrx_net_activation(n, a, NRX_NET_TANH, 0, 0), b);
    both(n, "bias, scales, product", 2, 5, 7, 1, 1e-5);
    n = graph(4);
    a = nrx_net_concat(n, nrx_net_slice(n, 0, 2, 2), nrx_net_activation(n, nrx_net_slice(n, 0, 0, 3), NRX_NET_TANH, 0, 0));
    a = nrx_net_activation(n, nrx_net_avg_pool(n, a, 3), NRX_NET_SILU, 0, 0);
    a = nrx_net_add(n, a, nrx_net_spatial_mean(n, a), 1, -0.5);
    (void)nrx_net_add(n, a, nrx_net_slice(n, a, 1, 1), 0.5, 2);
    both(n, "slice, concat, pool, means, broadcast", 2, 7, 11, 1, 1e-5);
    for (i = 0; i < 3; i++) {
        n = graph(4);
        (void)nrx_net_activation(n, nrx_net_group_norm(n, 0, i == 0 ? 1 : i == 1 ? 2 : 0, 0, NULL), NRX_NET_SILU, 0, 0);
        both(n, "group norm", 2, 3, 5, 1, 2e-5);
    }
    n = graph(3);
    (void)nrx_net_activation(n, nrx_net_batch_norm(n, 0, 1e-3, NULL), NRX_NET_TANH, 0, 0);
    for (i = 0; i < 3; i++) { n->theta[i] = 1 + 0.2f * (float)i; n->theta[6 + i] = 0.1f * (float)i; n->theta[9 + i] = 0.5f + (float)i; }
    both(n, "batch norm", 2, 5, 3, 1, 1e-5);
    n = graph(2);
    a = nrx_net_add(n, nrx_net_sqnorm(n, 0), nrx_net_mean(n, nrx_net_activation(n, 0, NRX_NET_SILU, 0, 0)), 0.25, 3);
    a = nrx_net_add(n, a, nrx_net_l1norm(n, 0), 1, 0.3);
    a = nrx_net_add(n, a, nrx_net_hubernorm(n, 0, 0.4), 1, 0.2);
    (void)nrx_net_add(n, a, nrx_net_sum(n, nrx_net_activation(n, 0, NRX_NET_TANH, 0, 0)), 1, 0.1);
    both(n, "sums and norms", 3, 5, 7, 1, 1e-5);
    n = graph(3); /* the grid itself comes from the input: derivatives in image and grid, and the mixed ones */
    c.channels = 2; c.kernel = 3;
    b = nrx_net_activation(n, nrx_net_avg_pool(n, nrx_net_conv2d(n, 0, &c), 2), NRX_NET_TANH, 0, 0);
    b = nrx_net_scale(n, b, 1.1); /* a few points beyond the border */
    (void)nrx_net_activation(n, nrx_net_grid_sample(n, nrx_net_activation(n, 0, NRX_NET_SILU, 0, 0), b), NRX_NET_SOFTPLUS, 0, 0);
    both(n, "grid sampling", 2, 7, 9, 3, 2e-5);
    for (i = 0; i < 4; i++) {
        static const size_t t[4][4] = {{7, 9, 2, 3}, {8, 10, 4, 6}, {1, 15, 0, 5}, {11, 6, 5, 4}};
        n = graph(2);
        a = nrx_net_spectral_conv2d(n, nrx_net_activation(n, 0, NRX_NET_TANH, 0, 0), 3, t[i][2], t[i][3], NULL);
        (void)nrx_net_activation(n, a, NRX_NET_GELU, 0, 0);
        both(n, "spectral convolution", 2, t[i][0], t[i][1], 1, 1e-5);
    }
    n = graph(2); /* a buffer that already holds an adjoint when a spectral or transposed convolution adds to it */
    c.channels = 2; c.stride = 2;
    a = nrx_net_conv2d(n, 0, &c);
    c.pad = 1; c.output_padding = 1;
    b = nrx_net_add(n, nrx_net_conv_transpose2d(n, a, &c), nrx_net_resize(n, a, 2, 0), 1, 0.5);
    b = nrx_net_add(n, b, nrx_net_spectral_conv2d(n, 0, 2, 2, 2, NULL), 1, 0.5);
    (void)nrx_net_activation(n, b, NRX_NET_SILU, 0, 0);
    both(n, "several consumers", 2, 6, 8, 1, 1e-5);
}

static nrx_status apply(void *user, const void *x, void *y)
{
    const float *m = (const float *)user, *in = (const float *)x;
    size_t i, j;
    for (i = 0; i < 6; i++) { float s = 0; for (j = 0; j < 12; j++) s += m[i * 12 + j] * in[j]; ((float *)y)[i] = s; }
    return NRX_OK;
}
static nrx_status adjoint(void *user, const void *y, void *x)
{
    const float *m = (const float *)user, *in = (const float *)y;
    size_t i, j;
    for (j = 0; j < 12; j++) { float s = 0; for (i = 0; i < 6; i++) s += m[i * 12 + j] * in[i]; ((float *)x)[j] = s; }
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
    nrx_linop op = NRX_ZERO, back = NRX_ZERO;
    float *m = noise(72, 1);
#define BOTH(make, name, b, h, w, scale) do { CHECK((make) == NRX_OK); both(n, name, b, h, w, scale, 3e-5); } while (0)
    d.layers = 3; d.channels = 4; d.quadratic = 0.01; d.filter_bank = 1; d.seed = 5;
    BOTH(nrx_net_icnn(&d, &n), "acr", 2, 9, 11, 1);
    d.channels = 9; d.filter_bank = 0;
    BOTH(nrx_net_icnn(&d, &n), "wide icnn", 2, 11, 29, 1);
    d.channels = 4; d.activation = NRX_NET_SOFTPLUS;
    BOTH(nrx_net_iwcnn(&d, &n), "iwcnn", 2, 9, 11, 1);
    BOTH(nrx_net_idcnn(&d, &n), "idcnn", 2, 9, 11, 1);
    r.filters = 5;
    BOTH(nrx_net_crr(&r, &n), "crr", 2, 9, 11, 0.2);
    BOTH(nrx_net_wcrr(&r, &n), "wcrr", 2, 9, 11, 0.2);
    c.channels = 4; c.scales = 2; c.layers = 1; c.norm = 1; c.activation = NRX_NET_SILU; c.blocks = 1;
    BOTH(nrx_net_unet(&c, &n), "unet", 2, 6, 10, 1);
    c.layers = 3; c.norm = 0;
    BOTH(nrx_net_dncnn(&c, &n), "dncnn", 2, 7, 9, 1);
    BOTH(nrx_net_drunet(&c, &n), "drunet", 2, 6, 10, 1);
    BOTH(nrx_net_gradient_step(&c, &n), "gradient step", 2, 6, 10, 1);
    BOTH(nrx_net_nett(&c, &n), "nett", 2, 7, 9, 1);
    BOTH(nrx_net_lar(&c, &n), "lar", 2, 7, 9, 1);
    BOTH(nrx_net_ar(&c, &n), "ar", 2, 9, 11, 1);
    BOTH(nrx_net_tdv(&c, &n), "tdv", 2, 6, 10, 1);
    l.inputs = 3; l.features = 9;
    BOTH(nrx_net_lpn(&l, &n), "lpn", 5, 1, 1, 1);
    BOTH(nrx_net_lpn(&l, &n), "lpn, batch by features", 17, 1, 1, 1);
    op.apply = apply; op.adjoint = adjoint; op.user = m; op.rows = 6; op.cols = 12; op.dtype = NRX_F32; op.norm = 4;
    back = op; back.apply = adjoint; back.adjoint = apply; back.rows = 12; back.cols = 6;
    u.op = &op; u.height = 3; u.width = 4; u.data_height = 2; u.data_width = 3; u.iterations = 2; u.channels = 3; u.memory = 2;
    BOTH(nrx_net_lpd(&u, &n), "lpd", 2, 2, 3, 1);
    BOTH(nrx_net_learned_gradient(&u, &n), "learned gradient", 2, 2, 3, 1);
    BOTH(nrx_net_lista(&u, 0.05, &n), "lista", 2, 2, 3, 1);
    d.layers = 2; d.kernel = 3;
    BOTH(nrx_net_acncr(&u, &d, &d, &n), "acncr", 2, 3, 4, 1);
    u.height = 2; u.width = 6; u.inverse = &back;
    c.layers = 1;
    BOTH(nrx_net_itnet(&u, &c, &n), "itnet", 2, 2, 3, 1);
    free(m);
}

int main(void)
{
    convolutions(80);
    layers();
    networks();
    return nrx_test_end();
}
