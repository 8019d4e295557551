/* Operators against stored values of numpy and PyTorch (tests/ref/tensor_ref.py says how they were made), in both precisions;
   and what the stored values do not cover: constructors, i64, NaN rules, files, printing, random tensors.
   SPDX-License-Identifier: MIT-0 OR Unlicense
   run: fp */
#include "nrx_test.h"
#define NRX_TENSOR_IMPLEMENTATION
#include "nrx_tensor.h"
#include "nrx_test.h"

typedef nrx_tensor T;
static const struct { const char *name; size_t n; double v[14]; } refs[] = {
#define REF(name, n, ...) {#name, n, __VA_ARGS__},
#include "../ref/tensor_ref.inc"
#undef REF
};
enum { REFS = sizeof refs / sizeof *refs };
static int used[REFS], dtype;
static nrx_scope *s;

static void ref(const char *name, T *x)
{
    size_t k, i, shown;
    double sum = 0, squares = 0, tol = dtype == NRX_F64 ? 1e-11 : 3e-5, *v;
    T *y = nrx_t_cast(x, NRX_F64);
    char what[200];
    for (k = 0; k < REFS && strcmp(refs[k].name, name); k++) { }
    CHECK(k < REFS && y != NULL);
    if (k == REFS || !y) { printf("  %s: %s\n", name, nrx_t_error(s)); nrx_t_clear_error(s); return; }
    used[k] = 1;
    CHECK(y->size == refs[k].n);
    if (y->size != refs[k].n) { printf("  %s has %d elements\n", name, (int)y->size); return; }
    v = (double *)y->data;
    shown = y->size < 12 ? y->size : 12;
    for (i = 0; i < y->size; i++) { sum += v[i]; squares += v[i] * v[i]; }
    for (i = 0; i < shown + 2; i++) {
        double got = i < shown ? v[i] : i == shown ? sum : squares, want = refs[k].v[i];
        double scale = i < shown ? fabs(want) + sqrt(squares / (double)y->size) : sqrt(squares * (double)y->size) + squares;
        snprintf(what, sizeof what, "%s[%d] in %s", name, (int)i, dtype == NRX_F64 ? "f64" : "f32");
        nrx_test_near(got, want, tol * scale + (squares == 0 ? tol : 0), __FILE__, __LINE__, what);
    }
}

static T *inp(int k, nrx_shape shape, double scale, double shift)
{
    T *t = nrx_t_zeros(s, NRX_F64, shape);
    size_t i;
    for (i = 0; i < t->size; i++) ((double *)t->data)[i] = sin(0.7 * (double)i + 1.3 * k) * scale + shift;
    return nrx_t_cast(t, dtype);
}
static T *in2(int k, size_t a, size_t b) { return inp(k, nrx_s2(a, b), 1, 0); }
static T *in3(int k, size_t a, size_t b, size_t c) { return inp(k, nrx_s3(a, b, c), 1, 0); }
static T *in4(int k, size_t a, size_t b, size_t c, size_t d) { return inp(k, nrx_s4(a, b, c, d), 1, 0); }
static T *ints(nrx_shape shape, const int64_t *v) { return nrx_t_from(s, NRX_I64, shape, v); }

static void stored_values(void)
{
    static const int64_t gather_at[8] = {2, 0, 1, 1, 0, 2, 2, 1}, labels[3] = {1, 3, 0}, select_at[3] = {3, 0, 0};
    T *a = in2(0, 3, 4), *b = in2(1, 3, 4), *p = inp(2, nrx_s2(3, 4), 0.5, 1), *u = inp(3, nrx_s2(3, 4), 0.9, 0);
    T *c3 = in3(4, 2, 3, 4), *row = inp(5, nrx_s1(4), 1, 0), *img = in4(6, 2, 3, 6, 5), *zero = nrx_t_scalar(s, dtype, 0);
    T *sq = nrx_t_add(in3(7, 2, 3, 3), nrx_t_scale(nrx_t_eye(s, dtype, 3), 3)), *m = in2(8, 3, 3), *tall = nrx_t_add(in2(9, 5, 3), nrx_t_scale(nrx_t_square(in2(9, 5, 3)), 2));
    T *spd = nrx_t_add(nrx_t_matmul(m, nrx_t_transpose(m, 0, 1)), nrx_t_eye(s, dtype, 3)), *z = nrx_t_complex(c3, in3(1, 2, 3, 4));
    T *idx = ints(nrx_s2(2, 4), gather_at), *lab = ints(nrx_s1(3), labels), *pair[2], *q, *r, *w, *x, *y, *g[2], *h, *grid;
    nrx_conv o;
    int64_t dummy = 0;
    (void)dummy;
    ref("add", nrx_t_add(a, row)); ref("sub", nrx_t_sub(a, b)); ref("mul", nrx_t_mul(a, b)); ref("div", nrx_t_div(a, p));
    ref("pow", nrx_t_pow(p, b)); ref("atan2", nrx_t_atan2(a, b)); ref("maximum", nrx_t_maximum(a, b)); ref("minimum", nrx_t_minimum(a, b));
    ref("gt", nrx_t_gt(a, b)); ref("le", nrx_t_le(a, b)); ref("where", nrx_t_where(nrx_t_gt(a, zero), a, b)); ref("clamp", nrx_t_clamp(a, -0.3, 0.6));
#define ONE(name, x) ref(#name, nrx_t_##name(x));
    ONE(neg, a) ONE(abs, a) ONE(sign, a) ONE(floor, a) ONE(ceil, a) ONE(round, a) ONE(square, a) ONE(exp, a) ONE(expm1, a) ONE(sin, a) ONE(cos, a)
    ONE(tan, a) ONE(atan, a) ONE(sinh, a) ONE(cosh, a) ONE(tanh, a) ONE(sigmoid, a) ONE(erf, a) ONE(relu, a) ONE(softplus, a) ONE(silu, a)
    ONE(gelu, a) ONE(sqrt, p) ONE(rsqrt, p) ONE(reciprocal, p) ONE(log, p) ONE(log1p, p) ONE(asin, u) ONE(acos, u)
    ref("leaky_relu", nrx_t_leaky_relu(a, 0.2)); ref("elu", nrx_t_elu(a, 0.7)); ref("pow_scalar", nrx_t_pow_scalar(p, 2.5));
    ref("sum", nrx_t_sum(c3, NRX_AXIS(0) | NRX_AXIS(2), 0)); ref("mean", nrx_t_mean(c3, NRX_AXIS(1), 1)); ref("var", nrx_t_var(c3, NRX_AXIS(2), 1, 0));
    ref("prod", nrx_t_prod(c3, NRX_AXIS(1), 0)); ref("norm", nrx_t_norm(c3, NRX_AXIS(-1), 0));
    ref("logsumexp", nrx_t_logsumexp(c3, NRX_AXIS(0) | NRX_AXIS(1), 0)); ref("max", nrx_t_max(c3, NRX_AXIS(0) | NRX_AXIS(2), 0));
    ref("min", nrx_t_min(c3, NRX_AXIS(1), 0)); ref("argmax", nrx_t_argmax(c3, 2)); ref("argmin", nrx_t_argmin(c3, 1)); ref("cumsum", nrx_t_cumsum(c3, 1));
    ref("softmax", nrx_t_softmax(c3, 1)); ref("log_softmax", nrx_t_log_softmax(c3, 2)); ref("cross_entropy", nrx_t_cross_entropy(a, lab));
    ref("mse", nrx_t_mse(a, b)); ref("layer_norm", nrx_t_layer_norm(c3, 1, in2(1, 3, 4), in2(2, 3, 4), 1e-5));
    ref("group_norm", nrx_t_group_norm(in3(1, 2, 4, 3), 2, inp(2, nrx_s1(4), 1, 0), inp(3, nrx_s1(4), 1, 0), 1e-5));
    ref("sort", nrx_t_sort(c3, 1, 1)); ref("argsort", nrx_t_argsort(c3, 2, 0)); ref("topk", nrx_t_topk(c3, 2, 2, NULL));
    pair[0] = a; pair[1] = b;
    ref("concat", nrx_t_concat(pair, 2, 1)); ref("stack", nrx_t_stack(pair, 2, 1)); ref("gather", nrx_t_gather(a, 0, idx));
    ref("scatter_add", nrx_t_scatter_add(a, 0, idx, nrx_t_slice(b, 0, 0, 2, 1))); ref("index_select", nrx_t_index_select(a, 1, ints(nrx_s1(3), select_at)));
    ref("one_hot", nrx_t_one_hot(lab, 5, dtype)); ref("pad_reflect", nrx_t_pad(c3, 1, 2, 1, NRX_PAD_REFLECT, 0));
    ref("pad_edge", nrx_t_pad(c3, 1, 2, 1, NRX_PAD_REPLICATE, 0)); ref("pad_wrap", nrx_t_pad(c3, 1, 2, 1, NRX_PAD_CIRCULAR, 0));
    ref("matmul", nrx_t_matmul(c3, in2(1, 4, 5))); ref("matmul_batch", nrx_t_matmul(c3, in3(1, 2, 4, 2)));
    pair[0] = c3; pair[1] = in3(1, 2, 5, 4);
    ref("einsum", nrx_t_einsum("bij,bkj->kib", pair, 2)); ref("einsum_diag", nrx_t_einsum("bii->bi", &sq, 1));
    ref("tril", nrx_t_tril(sq, 0)); ref("triu", nrx_t_triu(sq, 1)); ref("diagonal", nrx_t_diagonal(sq, 1, 2));
    memset(&o, 0, sizeof o); o.stride[0] = 2; o.padding[0] = 1;
    ref("conv1d", nrx_t_conv1d(in3(1, 2, 3, 9), in3(2, 4, 3, 3), inp(3, nrx_s1(4), 1, 0), &o));
    o.output_padding[0] = 1;
    ref("conv_transpose1d", nrx_t_conv_transpose1d(in3(1, 2, 3, 5), in3(2, 3, 2, 3), inp(3, nrx_s1(2), 1, 0), &o));
    memset(&o, 0, sizeof o); o.stride[0] = 2; o.padding[0] = 1; o.padding[1] = 2; o.dilation[1] = 2;
    ref("conv2d", nrx_t_conv2d(img, in4(2, 4, 3, 3, 2), inp(3, nrx_s1(4), 1, 0), &o));
    memset(&o, 0, sizeof o); o.groups = 3; o.same = 1;
    ref("conv2d_groups", nrx_t_conv2d(img, in4(2, 6, 1, 3, 3), NULL, &o));
    memset(&o, 0, sizeof o); o.stride[1] = 2; o.padding[0] = o.padding[2] = 1;
    ref("conv3d", nrx_t_conv3d(inp(1, nrx_s5(1, 2, 4, 5, 4), 1, 0), inp(2, nrx_s5(3, 2, 2, 3, 3), 1, 0), inp(3, nrx_s1(3), 1, 0), &o));
    memset(&o, 0, sizeof o); o.stride[0] = 2; o.stride[1] = 3; o.padding[0] = 1; o.output_padding[0] = 1; o.output_padding[1] = 2; o.dilation[1] = 2;
    ref("conv_transpose2d", nrx_t_conv_transpose2d(img, in4(2, 3, 4, 3, 2), inp(3, nrx_s1(4), 1, 0), &o));
    memset(&o, 0, sizeof o); o.stride[0] = o.stride[2] = 2;
    ref("conv_transpose3d", nrx_t_conv_transpose3d(inp(1, nrx_s5(1, 2, 2, 3, 2), 1, 0), inp(2, nrx_s5(2, 2, 2, 3, 2), 1, 0), NULL, &o));
    ref("avg_pool2d", nrx_t_avg_pool2d(img, 3, 2, 1)); ref("max_pool2d", nrx_t_max_pool2d(img, 3, 2, 1));
    ref("resize_bilinear", nrx_t_resize2d(img, 9, 4, NRX_BILINEAR, 0)); ref("resize_corners", nrx_t_resize2d(img, 9, 4, NRX_BILINEAR, 1));
    ref("resize_nearest", nrx_t_resize2d(img, 9, 4, NRX_NEAREST, 0));
    grid = inp(1, nrx_s4(2, 4, 3, 2), 1.2, 0);
    ref("grid_sample", nrx_t_grid_sample(img, grid, 0, 0)); ref("grid_sample_border", nrx_t_grid_sample(img, grid, 1, 1));
    ref("fft", nrx_t_fft(z, NRX_AXIS(1))); ref("fftn", nrx_t_fft(z, NRX_ALL_AXES)); ref("ifft", nrx_t_ifft(z, NRX_AXIS(2)));
    ref("rfft", nrx_t_rfft(c3, 1)); ref("irfft", nrx_t_irfft(z, 1, 5));
    ref("cholesky", nrx_t_cholesky(spd)); ref("solve", nrx_t_solve(sq, in3(1, 2, 3, 2))); ref("inverse", nrx_t_inverse(sq)); ref("det", nrx_t_det(sq));
    ref("logdet", nrx_t_logdet(sq)); ref("lstsq", nrx_t_lstsq(tall, in2(1, 5, 2)));
    CHECK(nrx_t_qr(tall, &q, &r) == NRX_OK);
    ref("qr_q", q); ref("qr_r", r);
    CHECK(nrx_t_eigh(sq, &w, NULL) == NRX_OK);
    ref("eigh_w", w);
    CHECK(nrx_t_svd(tall, NULL, &w, NULL) == NRX_OK);
    ref("svd_s", w);
    w = nrx_t_require_grad(in4(1, 4, 3, 3, 3), 1);
    x = nrx_t_require_grad(in4(6, 2, 3, 6, 5), 1);
    memset(&o, 0, sizeof o); o.same = 1;
    y = nrx_t_sum(nrx_t_square(nrx_t_logsumexp(nrx_t_tanh(nrx_t_conv2d(x, w, NULL, &o)), 14, 0)), NRX_ALL_AXES, 0);
    pair[0] = x; pair[1] = w;
    CHECK(nrx_t_grad(y, pair, 2, g) == NRX_OK);
    ref("net_gx", g[0]); ref("net_gw", g[1]);
    CHECK(nrx_t_grad(nrx_t_sum(nrx_t_square(g[0]), NRX_ALL_AXES, 0), &w, 1, &h) == NRX_OK);
    ref("net_penalty_gw", h);
    x = nrx_t_require_grad(inp(1, nrx_s1(5), 1, 0), 1);
    y = nrx_t_sum(nrx_t_exp(nrx_t_cumsum(nrx_t_mul(nrx_t_sin(x), nrx_t_flip(x, 1)), 0)), NRX_ALL_AXES, 0);
    ref("hessian", nrx_t_hessian(y, x));
}

static double at(T *x, size_t i) { return nrx_t_get(nrx_t_reshape(x, nrx_s1(NRX_AUTO)), &i); }

static void rules(void)
{
    static const int64_t five[2] = {5, -7}, two[2] = {2, 2};
    double nan_bits = HUGE_VAL - HUGE_VAL, v[4];
    T *a = ints(nrx_s1(2), five), *b = ints(nrx_s1(2), two), *x, *u;
    size_t i;
    CHECK(at(nrx_t_add(a, b), 1) == -5 && at(nrx_t_mul(a, b), 0) == 10 && at(nrx_t_maximum(a, b), 1) == 2 && at(nrx_t_lt(a, b), 1) == 1);
    v[0] = 1; v[1] = nan_bits; v[2] = 3; v[3] = -2;
    x = nrx_t_from(s, NRX_F64, nrx_s1(4), v);
    CHECK(at(nrx_t_argmax(x, 0), 0) == 1 && at(nrx_t_argmin(x, 0), 0) == 1);
    CHECK(at(nrx_t_argsort(x, 0, 0), 3) == 1 && at(nrx_t_argsort(x, 0, 1), 0) == 1);
    u = nrx_t_relu(x);
    CHECK(at(u, 1) != at(u, 1));
    CHECK(at(nrx_t_cast(nrx_t_scalar(s, NRX_F64, 1e300), NRX_I64), 0) > 9e18 && at(nrx_t_cast(nrx_t_scalar(s, NRX_F64, -2.7), NRX_I64), 0) == -2);
    CHECK(nrx_t_item(nrx_t_sum(nrx_t_zeros(s, NRX_F32, nrx_s2(0, 3)), NRX_ALL_AXES, 0)) == 0);
    CHECK(at(nrx_t_arange(s, NRX_F64, 1, 0.5, 4), 3) == 2.5 && at(nrx_t_linspace(s, NRX_F64, -1, 1, 5), 4) == 1 && at(nrx_t_eye(s, NRX_F32, 3), 4) == 1);
    /* a long f32 sum of 0.1 is exact to f32 rounding, in both directions of memory */
    x = nrx_t_full(s, NRX_F32, nrx_s2(1000, 1000), 0.1);
    CHECK_REL(nrx_t_item(nrx_t_sum(x, NRX_ALL_AXES, 0)), 1e6 * (double)0.1f, 6e-8);
    u = nrx_t_sum(x, 1, 0);
    for (i = 0; i < 1000; i++) CHECK_REL(at(u, i), 1000 * (double)0.1f, 6e-8);
    /* f64: 1 + 1e6 times 1e-16; the lane of 32 terms that holds the 1 loses up to 31 half ulps */
    x = nrx_t_full(s, NRX_F64, nrx_s2(1000, 1000), 1e-16);
    nrx_t_set(nrx_t_slice(nrx_t_slice(x, 0, 0, 1, 1), 1, 0, 1, 1), nrx_t_ones(s, NRX_F64, nrx_s2(1, 1)));
    CHECK_REL(nrx_t_item(nrx_t_sum(x, NRX_ALL_AXES, 0)), 1 + 1e-10, 5e-15);
    CHECK_REL(at(nrx_t_sum(x, 1, 0), 0), 1 + 1e-13, 3e-16); /* over rows: compensated */
}

static void randoms(void)
{
    nrx_rng r;
    T *x, *p;
    size_t i;
    int seen[100] = {0}, zeros = 0;
    nrx_rng_seed(&r, 3, 4);
    x = nrx_t_normal(s, NRX_F64, nrx_s1(20000), 2, 3, &r);
    CHECK_NEAR(nrx_t_item(nrx_t_mean(x, 1, 0)), 2, 4 * 3 / sqrt(20000.0));
    CHECK_NEAR(nrx_t_item(nrx_t_var(x, 1, 1, 0)), 9, 9 * 4 * sqrt(2 / 20000.0));
    p = nrx_t_permutation(s, 100, &r);
    for (i = 0; i < 100; i++) seen[((int64_t *)p->data)[i]]++;
    for (i = 0; i < 100; i++) CHECK(seen[i] == 1);
    x = nrx_t_dropout(nrx_t_ones(s, NRX_F32, nrx_s1(10000)), 0.25, &r);
    for (i = 0; i < 10000; i++) { zeros += at(x, i) == 0; CHECK(at(x, i) == 0 || fabs(at(x, i) - 4.0 / 3) < 1e-6); }
    CHECK_NEAR(zeros, 2500, 4 * sqrt(10000 * 0.25 * 0.75));
}

static void files(void)
{
    static const char *const names[2] = {"first", "second"};
    T *x = nrx_t_arange(s, NRX_F32, 0.5, 1, 12), *y, *both[2];
    char text[400];
    x = nrx_t_transpose(nrx_t_reshape(x, nrx_s2(3, 4)), 0, 1);
    CHECK(nrx_t_save_npy("tensor_ops_test.npy", x) == NRX_OK);
    y = nrx_t_load_npy(s, "tensor_ops_test.npy");
    CHECK(y && y->dtype == NRX_F32 && y->ndim == 2 && y->shape[0] == 4 && y->shape[1] == 3);
    CHECK(y && nrx_t_item(nrx_t_sum(nrx_t_abs(nrx_t_sub(x, y)), NRX_ALL_AXES, 0)) == 0);
    both[0] = x; both[1] = nrx_t_permutation(s, 7, &(nrx_rng){0});
    CHECK(nrx_t_save_npz("tensor_ops_test.npz", names, both, 2) == NRX_OK);
    y = nrx_t_load_npz(s, "tensor_ops_test.npz", "second");
    CHECK(y && y->dtype == NRX_I64 && y->size == 7);
    CHECK(nrx_t_load_npz(s, "tensor_ops_test.npz", "third") == NULL && nrx_t_status(s) != NRX_OK);
    nrx_t_clear_error(s);
    CHECK(nrx_t_load_npy(s, "no such file.npy") == NULL && nrx_t_status(s) == NRX_E_IO);
    nrx_t_clear_error(s);
    CHECK(nrx_t_parse_npy(s, "not an npy file", 15) == NULL && nrx_t_status(s) == NRX_E_FORMAT);
    nrx_t_clear_error(s);
    remove("tensor_ops_test.npy");
    remove("tensor_ops_test.npz");
    CHECK(nrx_t_format(nrx_t_eye(s, NRX_F64, 2), text, sizeof text) == strlen(text));
    CHECK(strstr(text, "f64 2x2") != NULL && strstr(text, "[         1         0]") != NULL);
    CHECK(nrx_t_format(nrx_t_zeros(s, NRX_F32, nrx_s3(20, 30, 40)), text, sizeof text) > sizeof text && strlen(text) == sizeof text - 1);
}

int main(void)
{
    size_t k, count = 0;
    s = nrx_t_scope_open(NULL);
    for (dtype = 0; dtype < 2; dtype++) {
        nrx_t_begin(s);
        stored_values();
        CHECK(nrx_t_status(s) == NRX_OK);
        if (nrx_t_status(s)) printf("  %s\n", nrx_t_error(s));
        nrx_t_end(s, NULL);
    }
    for (k = 0; k < REFS; k++) { CHECK(used[k]); count += (size_t)used[k]; }
    CHECK(count >= 60);
    nrx_t_begin(s); rules(); nrx_t_end(s, NULL);
    nrx_t_begin(s); randoms(); nrx_t_end(s, NULL);
    nrx_t_begin(s); files(); nrx_t_end(s, NULL);
    CHECK(nrx_t_status(s) == NRX_OK);
    if (nrx_t_status(s)) printf("  %s\n", nrx_t_error(s));
    nrx_t_scope_close(s);
    return nrx_test_end();
}
