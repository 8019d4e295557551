/* Misuse gives NULL or a status and a line that names the call and the operands; nothing crashes, and the scope stays usable.
   SPDX-License-Identifier: MIT-0 OR Unlicense
   run: fp */
#include "nrx_test.h"
#define NRX_TENSOR_IMPLEMENTATION
#include "nrx_tensor.h"
#include "nrx_test.h"

typedef nrx_tensor T;
static nrx_scope *s;
static nrx_test_log_state told;

/* The call must have failed with this status, and its one line must hold the text. */
static void failed(int line, int null, nrx_status status, const char *text)
{
    CHECK_ALWAYS(null);
    CHECK_ALWAYS(nrx_t_status(s) == status && told.lines >= 1 && told.status == (int)status);
    CHECK_ALWAYS(strstr(nrx_t_error(s), text) != NULL && strstr(told.last, text) != NULL);
    if (!null || nrx_t_status(s) != status || !strstr(nrx_t_error(s), text))
        printf("  line %d: null %d, status %d, \"%s\", expected \"%s\"\n", line, null, (int)nrx_t_status(s), nrx_t_error(s), text);
    told.lines = 0;
    nrx_t_clear_error(s);
}
#define BAD(expr, status, text) failed(__LINE__, (expr) == NULL, status, text)
#define BAD_STATUS(expr, status, text) failed(__LINE__, (expr) == status, status, text)

static nrx_status wrong_backward(void *user, T *const *x, size_t n, T *y, T *gy, T **gx)
{
    (void)user; (void)n; (void)y; (void)gy;
    gx[0] = nrx_t_scalar(x[0]->scope, x[0]->dtype, 1);
    return NRX_OK;
}
static T *forward(void *user, T *const *x, size_t n) { (void)user; (void)n; return nrx_t_square(x[0]); }
static T *nothing(void *user, T *const *x, size_t n) { (void)user; (void)x; (void)n; return NULL; }
static nrx_status broken(void *user, const void *x, void *y) { (void)user; (void)x; (void)y; return NRX_E_NUMERIC; }

int main(void)
{
    nrx_scope_desc d = NRX_ZERO;
    nrx_scope *other;
    size_t huge = (size_t)-1 / 2, nine[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1}, at[2] = {5, 0}, many = (size_t)1 << (sizeof(size_t) * 4);
    int64_t wild[2] = {0, 7};
    T *a, *b, *w, *c, *y, *i64, *g[2], *pair[4], *out;
    nrx_t_custom_op custom = NRX_ZERO;
    nrx_linop A = NRX_ZERO;
    nrx_functional f = NRX_ZERO;
    nrx_conv o = NRX_ZERO;
    nrx_param p[1];
    nrx_shape shape;
    double worst;
    int k;
    NRX_TEST_LOG_ENV(d.env, told);
    s = nrx_t_scope_open(&d);
    other = nrx_t_scope_open(NULL);
    a = nrx_t_zeros(s, NRX_F32, nrx_s2(3, 4));
    b = nrx_t_zeros(s, NRX_F32, nrx_s2(5, 6));
    w = nrx_t_name(nrx_t_require_grad(nrx_t_ones(s, NRX_F32, nrx_s2(3, 4)), 1), "w1");
    c = nrx_t_zeros(s, NRX_F64, nrx_s2(3, 4));
    i64 = nrx_t_from(s, NRX_I64, nrx_s1(2), wild);

    /* shapes: the line names the call, the shapes, and where they came from */
    BAD(nrx_t_add(nrx_t_relu(a), b), NRX_E_SHAPE, "nrx_t_add: f32 3x4 from nrx_t_relu and f32 5x6");
    BAD(nrx_t_matmul(w, b), NRX_E_SHAPE, "nrx_t_matmul: f32 3x4 \"w1\" by f32 5x6: inner sizes 4 and 5 differ");
    BAD(nrx_t_reshape(a, nrx_s2(5, NRX_AUTO)), NRX_E_SHAPE, "nrx_t_reshape");
    BAD(nrx_t_expand(a, nrx_s2(3, 5)), NRX_E_SHAPE, "nrx_t_expand");
    BAD(nrx_t_squeeze(a, NRX_AXIS(0)), NRX_E_SHAPE, "nrx_t_squeeze: axis 0 of f32 3x4 has size 3");
    pair[0] = a; pair[1] = b;
    BAD(nrx_t_concat(pair, 2, 0), NRX_E_SHAPE, "nrx_t_concat");
    BAD(nrx_t_einsum("ij,jk->ik", pair, 2), NRX_E_SHAPE, "sizes of j: 4 and 5");
    BAD(nrx_t_einsum("ij,k", pair, 2), NRX_E_SHAPE, "nrx_t_einsum");
    BAD(nrx_t_einsum("i?", pair, 1), NRX_E_ARG, "unexpected ?");
    BAD(nrx_t_einsum("ij->iz", pair, 1), NRX_E_ARG, "result letter z");
    BAD(nrx_t_conv2d(a, b, NULL, NULL), NRX_E_SHAPE, "nrx_t_conv2d");
    BAD(nrx_t_conv2d(nrx_t_zeros(s, NRX_F32, nrx_s4(1, 2, 5, 5)), nrx_t_zeros(s, NRX_F32, nrx_s4(1, 3, 3, 3)), NULL, NULL), NRX_E_SHAPE, "channels");
    BAD(nrx_t_conv2d(nrx_t_zeros(s, NRX_F32, nrx_s4(1, 2, 2, 5)), nrx_t_zeros(s, NRX_F32, nrx_s4(1, 2, 3, 3)), NULL, NULL), NRX_E_SHAPE, "does not fit");
    o.stride[0] = (size_t)-1;
    BAD(nrx_t_conv2d(nrx_t_zeros(s, NRX_F32, nrx_s4(1, 2, 5, 5)), nrx_t_zeros(s, NRX_F32, nrx_s4(1, 2, 3, 3)), NULL, &o), NRX_E_RANGE, "nrx_t_conv2d");
    BAD(nrx_t_max_pool2d(a, 2, 2, 0), NRX_E_SHAPE, "nrx_t_max_pool2d");
    BAD(nrx_t_grid_sample(a, b, 0, 0), NRX_E_SHAPE, "nrx_t_grid_sample");
    BAD(nrx_t_cross_entropy(a, b), NRX_E_SHAPE, "nrx_t_cross_entropy");
    BAD(nrx_t_fft(a, NRX_ALL_AXES), NRX_E_SHAPE, "no last axis of two");
    BAD(nrx_t_inverse(a), NRX_E_SHAPE, "nrx_t_inverse: f32 3x4 is not a square matrix");
    BAD(nrx_t_cholesky(nrx_t_scale(nrx_t_eye(s, NRX_F64, 3), -1)), NRX_E_NUMERIC, "nrx_t_cholesky: the matrix is not positive definite");
    BAD(nrx_t_solve(nrx_t_zeros(s, NRX_F64, nrx_s2(2, 2)), nrx_t_ones(s, NRX_F64, nrx_s2(2, 1))), NRX_E_NUMERIC, "singular");
    BAD(nrx_t_pad(a, 0, 5, 0, NRX_PAD_REFLECT, 0), NRX_E_SHAPE, "nrx_t_pad");
    BAD_STATUS(nrx_t_split(a, 1, 3, pair), NRX_E_SHAPE, "nrx_t_split");
    BAD_STATUS(nrx_t_set(a, b), NRX_E_SHAPE, "nrx_t_set");
    nrx_t_item(a);
    BAD(NULL, NRX_E_SHAPE, "nrx_t_item: f32 3x4 has 12 elements");
    /* axes and indices */
    BAD(nrx_t_sum(a, NRX_AXIS(2), 0), NRX_E_ARG, "nrx_t_sum: axis 2 of f32 3x4");
    BAD(nrx_t_sum(a, NRX_AXIS(-3), 0), NRX_E_ARG, "axis -3");
    BAD(nrx_t_select(a, 0, 3), NRX_E_ARG, "nrx_t_select: index 3 on axis 0 of f32 3x4");
    BAD(nrx_t_slice(a, 0, 0, 1, 0), NRX_E_ARG, "step 0");
    BAD(nrx_t_index_select(a, 1, i64), NRX_E_RANGE, "index 7");
    BAD(nrx_t_one_hot(i64, 3, NRX_F32), NRX_E_RANGE, "index 7");
    nrx_t_get(a, at);
    BAD(NULL, NRX_E_ARG, "nrx_t_get: index 5 on axis 0");
    BAD(nrx_t_topk(a, 1, 9, NULL), NRX_E_SHAPE, "nrx_t_topk");
    BAD(nrx_t_max(nrx_t_zeros(s, NRX_F32, nrx_s2(0, 3)), NRX_AXIS(0), 0), NRX_E_SHAPE, "nrx_t_max");
    /* sizes that overflow, more than eight axes */
    BAD(nrx_t_zeros(s, NRX_F32, nrx_s2(huge, 3)), NRX_E_RANGE, "overflows");
    BAD(nrx_t_zeros(s, NRX_F32, nrx_s3(0, huge, huge)), NRX_E_RANGE, "overflows");
    shape = nrx_s(8, nine);
    shape.ndim = 9;
    BAD(nrx_t_zeros(s, NRX_F32, shape), NRX_E_RANGE, "more than 8 axes");
    shape.ndim = -1;
    BAD(nrx_t_zeros(s, NRX_F32, shape), NRX_E_RANGE, "axes");
    BAD(nrx_t_unsqueeze(nrx_t_zeros(s, NRX_F32, nrx_s(8, nine)), 0), NRX_E_RANGE, "nrx_t_unsqueeze");
    BAD(nrx_t_mul(nrx_t_expand(nrx_t_scalar(s, NRX_F32, 1), nrx_s2(many, 1)), nrx_t_expand(nrx_t_scalar(s, NRX_F32, 1), nrx_s2(1, many))), NRX_E_RANGE, "nrx_t_mul");
    BAD(nrx_t_full(s, 17, nrx_s0(), 1), NRX_E_ARG, "dtype 17");
    /* dtypes */
    BAD(nrx_t_mul(a, c), NRX_E_ARG, "nrx_t_mul: dtypes differ: f32 3x4 and f64 3x4, convert with nrx_t_cast");
    BAD(nrx_t_exp(i64), NRX_E_UNSUPPORTED, "nrx_t_exp: i64 2 is not floating point");
    BAD(nrx_t_div(i64, i64), NRX_E_UNSUPPORTED, "nrx_t_div");
    BAD(nrx_t_gather(a, 0, b), NRX_E_SHAPE, "nrx_t_gather");
    BAD(nrx_t_require_grad(i64, 1), NRX_E_UNSUPPORTED, "nrx_t_require_grad");
    /* NULL passes through a chain and keeps the first error */
    y = nrx_t_exp(nrx_t_add(nrx_t_sum(nrx_t_mul(a, b), 1, 0), a));
    BAD(y, NRX_E_SHAPE, "nrx_t_mul");
    BAD(nrx_t_add(a, NULL), NRX_E_ARG, "nrx_t_add: argument 2 is NULL");
    CHECK(nrx_t_exp(NULL) == NULL && nrx_t_add(NULL, NULL) == NULL && nrx_t_status(NULL) == NRX_E_ARG && nrx_t_status(s) == NRX_OK);
    CHECK(nrx_t_zeros(NULL, NRX_F32, nrx_s0()) == NULL && nrx_t_backward(NULL, 0) == NRX_E_ARG && nrx_t_shape(NULL).ndim == 0);
    nrx_t_free(NULL); nrx_t_scope_close(NULL); nrx_t_begin(NULL); nrx_t_end(NULL, NULL);
    CHECK(nrx_t_item(NULL) != nrx_t_item(NULL));
    CHECK(nrx_t_add(a, nrx_t_zeros(other, NRX_F32, nrx_s0())) == NULL);
    BAD(NULL, NRX_E_ARG, "nrx_t_add: argument 2 belongs to another scope");
    BAD(nrx_t_from(s, NRX_F32, nrx_s1(3), NULL), NRX_E_ARG, "nrx_t_from");
    BAD(nrx_t_uniform(s, NRX_F32, nrx_s1(3), 0, 1, NULL), NRX_E_ARG, "nrx_t_uniform");
    /* freed tensors */
    y = nrx_t_copy(a);
    nrx_t_free(y);
    BAD(nrx_t_add(a, y), NRX_E_STATE, "nrx_t_add: argument 2 was freed");
    nrx_t_free(y);
    BAD(NULL, NRX_E_STATE, "nrx_t_free: the tensor was freed before");
    nrx_t_begin(s);
    y = nrx_t_copy(a);
    nrx_t_end(s, NULL);
    BAD(nrx_t_exp(y), NRX_E_STATE, "nrx_t_exp: argument 1 was freed");
    nrx_t_end(s, NULL);
    BAD(NULL, NRX_E_STATE, "nrx_t_end");
    /* graphs */
    y = nrx_t_sum(nrx_t_square(w), NRX_ALL_AXES, 0);
    CHECK(nrx_t_backward(y, 0) == NRX_OK);
    BAD_STATUS(nrx_t_backward(y, 0), NRX_E_STATE, "was freed by an earlier nrx_t_backward");
    BAD_STATUS(nrx_t_grad(nrx_t_exp(y), &w, 1, g), NRX_E_STATE, "was freed by an earlier nrx_t_backward");
    BAD_STATUS(nrx_t_backward(nrx_t_exp(a), 0), NRX_E_STATE, "depends on nothing that requires gradients");
    y = nrx_t_mul(w, nrx_t_exp(w));
    CHECK(nrx_t_add_scaled(w, 1, a) == NRX_OK);
    BAD_STATUS(nrx_t_grad(y, &w, 1, g), NRX_E_STATE, "\"w1\", which nrx_t_mul needs for its gradient, was written in place");
    BAD_STATUS(nrx_t_backward(y, 0), NRX_E_STATE, "was written in place");
    y = nrx_t_exp(w);
    BAD_STATUS(nrx_t_fill(y, 1), NRX_E_STATE, "nrx_t_fill: f32 3x4 from nrx_t_exp is the result of a recorded operation");
    BAD_STATUS(nrx_t_fill(nrx_t_expand(nrx_t_scalar(s, NRX_F32, 1), nrx_s1(3)), 1), NRX_E_STATE, "expanded");
    BAD(nrx_t_require_grad(y, 0), NRX_E_STATE, "nrx_t_require_grad");
    BAD_STATUS(nrx_t_vjp(y, b, &w, 1, g), NRX_E_SHAPE, "nrx_t_vjp: cotangent f32 5x6");
    BAD(nrx_t_jvp(y, &w, &b, 1), NRX_E_SHAPE, "nrx_t_jvp: direction f32 5x6");
    BAD_STATUS(nrx_t_params(&y, 1, p), NRX_E_STATE, "nrx_t_params");
    BAD_STATUS(nrx_t_gradcheck(forward, NULL, &a, 1, 1, 0, 1e-3, &worst), NRX_E_STATE, "not a leaf that requires gradients");
    /* operations from outside */
    custom.name = "mine";
    custom.forward = forward;
    custom.backward = wrong_backward;
    BAD_STATUS(nrx_t_grad(nrx_t_custom(&custom, &w, 1), &w, 1, g), NRX_E_SHAPE, "mine gave the gradient f32 scalar");
    BAD_STATUS(nrx_t_gradcheck(forward, NULL, &w, 1, 1, 1e-2, 1e-12, &worst), NRX_E_NUMERIC, "nrx_t_gradcheck");
    BAD(nrx_t_checkpoint(nothing, NULL, &w, 1), NRX_E_ARG, "nrx_t_checkpoint");
    A.apply = broken;
    A.rows = A.cols = 4;
    BAD(nrx_t_linop(&A, a), NRX_E_NUMERIC, "nrx_t_linop");
    A.cols = 3;
    BAD(nrx_t_linop(&A, a), NRX_E_SHAPE, "the operator takes f32 of 3");
    BAD(nrx_t_functional(&f, a), NRX_E_ARG, "nrx_t_functional");
    /* a limit of memory, and life after all these errors */
    nrx_t_scope_close(other);
    d.limit = 100000;
    other = nrx_t_scope_open(&d);
    out = nrx_t_zeros(other, NRX_F64, nrx_s1(100000));
    CHECK(out == NULL && nrx_t_status(other) == NRX_E_NOMEM && strstr(nrx_t_error(other), "has a limit") != NULL);
    for (k = 0; k < 1000; k++) { nrx_t_begin(other); nrx_t_exp(nrx_t_zeros(other, NRX_F64, nrx_s1(5000))); nrx_t_end(other, NULL); }
    nrx_t_scope_close(other);
    y = nrx_t_square(w);
    CHECK(nrx_t_grad(y, &w, 1, g) == NRX_OK && nrx_t_status(s) == NRX_OK);
    nrx_t_scope_close(s);
    return nrx_test_end();
}
