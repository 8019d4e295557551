/* Every differentiable operator against central differences in f64, to first order at 1e-6 and to second order at 1e-5.
   SPDX-License-Identifier: MIT-0 OR Unlicense */
#include "nrx_test.h"
#define NRX_TENSOR_IMPLEMENTATION
#include "nrx_tensor.h"
#include "nrx_test.h"

typedef nrx_tensor T;
#define U (void)user; (void)n
#define OP1(name, expr) static T *f_##name(void *user, T *const *x, size_t n) { U; return expr; }

/* element-wise */
OP1(add, nrx_t_add(x[0], x[1]))
OP1(sub, nrx_t_sub(x[0], x[1]))
OP1(mul, nrx_t_mul(x[0], x[1]))
OP1(div, nrx_t_div(x[0], x[1]))
OP1(pow, nrx_t_pow(x[0], x[1]))
OP1(atan2, nrx_t_atan2(x[0], x[1]))
OP1(maximum, nrx_t_maximum(x[0], x[1]))
OP1(minimum, nrx_t_minimum(x[0], x[1]))
OP1(where, nrx_t_where(nrx_t_gt(nrx_t_detach(x[0]), nrx_t_detach(x[1])), nrx_t_square(x[0]), nrx_t_exp(x[1])))
OP1(neg, nrx_t_neg(x[0]))
OP1(abs, nrx_t_abs(x[0]))
OP1(square, nrx_t_square(x[0]))
OP1(sqrt, nrx_t_sqrt(x[0]))
OP1(rsqrt, nrx_t_rsqrt(x[0]))
OP1(reciprocal, nrx_t_reciprocal(x[0]))
OP1(exp, nrx_t_exp(x[0]))
OP1(expm1, nrx_t_expm1(x[0]))
OP1(log, nrx_t_log(x[0]))
OP1(log1p, nrx_t_log1p(x[0]))
OP1(sin, nrx_t_sin(x[0]))
OP1(cos, nrx_t_cos(x[0]))
OP1(tan, nrx_t_tan(x[0]))
OP1(asin, nrx_t_asin(x[0]))
OP1(acos, nrx_t_acos(x[0]))
OP1(atan, nrx_t_atan(x[0]))
OP1(sinh, nrx_t_sinh(x[0]))
OP1(cosh, nrx_t_cosh(x[0]))
OP1(tanh, nrx_t_tanh(x[0]))
OP1(sigmoid, nrx_t_sigmoid(x[0]))
OP1(softplus, nrx_t_softplus(x[0]))
OP1(silu, nrx_t_silu(x[0]))
OP1(erf, nrx_t_erf(x[0]))
OP1(gelu, nrx_t_gelu(x[0]))
OP1(relu, nrx_t_mul(x[0], nrx_t_relu(x[0])))
OP1(leaky_relu, nrx_t_square(nrx_t_leaky_relu(x[0], 0.2)))
OP1(elu, nrx_t_elu(x[0], 0.7))
OP1(affine, nrx_t_affine(x[0], 3, -2))
OP1(pow_scalar, nrx_t_pow_scalar(x[0], 2.5))
OP1(clamp, nrx_t_square(nrx_t_clamp(x[0], -0.4, 0.5)))
OP1(floor, nrx_t_add(nrx_t_floor(x[0]), nrx_t_mul(x[0], nrx_t_sign(x[0]))))
/* views */
OP1(reshape, nrx_t_square(nrx_t_reshape(x[0], nrx_s2(NRX_AUTO, 2))))
OP1(reshape_copy, nrx_t_square(nrx_t_reshape(nrx_t_transpose(x[0], 0, 1), nrx_s1(NRX_AUTO))))
OP1(flatten, nrx_t_exp(nrx_t_flatten(x[0], 1, 2)))
static const int order3[3] = {2, 0, 1};
OP1(permute, nrx_t_exp(nrx_t_permute(x[0], order3)))
OP1(slice, nrx_t_exp(nrx_t_slice(x[0], 1, 1, NRX_END, 2)))
OP1(slice_back, nrx_t_exp(nrx_t_slice(x[0], -1, -1, NRX_END, -2)))
OP1(select, nrx_t_exp(nrx_t_select(x[0], 1, -1)))
OP1(flip, nrx_t_mul(x[0], nrx_t_flip(x[0], NRX_AXIS(1) | NRX_AXIS(2))))
OP1(expand, nrx_t_exp(nrx_t_expand(x[0], nrx_s3(2, 3, 4))))
OP1(squeeze, nrx_t_exp(nrx_t_squeeze(nrx_t_unsqueeze(x[0], 1), NRX_ALL_AXES)))
OP1(diagonal, nrx_t_exp(nrx_t_diagonal(x[0], 1, 2)))
OP1(diag, nrx_t_mul(nrx_t_diag(x[0]), nrx_t_diag(nrx_t_exp(x[0]))))
OP1(tril, nrx_t_square(nrx_t_tril(x[0], 0)))
OP1(triu, nrx_t_square(nrx_t_triu(x[0], 1)))
OP1(cast, nrx_t_square(nrx_t_cast(nrx_t_copy(x[0]), NRX_F64)))
OP1(contiguous, nrx_t_square(nrx_t_contiguous(nrx_t_transpose(x[0], 0, 2))))
/* reductions */
OP1(sum, nrx_t_square(nrx_t_sum(x[0], NRX_AXIS(0) | NRX_AXIS(2), 0)))
OP1(sum_all, nrx_t_square(nrx_t_sum(x[0], NRX_ALL_AXES, 1)))
OP1(mean, nrx_t_square(nrx_t_mean(x[0], NRX_AXIS(-1), 1)))
OP1(var, nrx_t_var(x[0], NRX_AXIS(1), 1, 0))
OP1(prod, nrx_t_prod(x[0], NRX_AXIS(1) | NRX_AXIS(2), 0))
OP1(norm, nrx_t_norm(x[0], NRX_AXIS(2), 1))
OP1(logsumexp, nrx_t_logsumexp(x[0], NRX_AXIS(0) | NRX_AXIS(1), 0))
OP1(max, nrx_t_square(nrx_t_max(x[0], NRX_AXIS(0) | NRX_AXIS(2), 0)))
OP1(min, nrx_t_square(nrx_t_min(x[0], NRX_AXIS(1), 1)))
OP1(cumsum, nrx_t_square(nrx_t_cumsum(x[0], 1)))
OP1(softmax, nrx_t_softmax(x[0], 1))
OP1(softmax_last, nrx_t_softmax(x[0], -1))
OP1(log_softmax, nrx_t_log_softmax(x[0], 2))
OP1(mse, nrx_t_mse(x[0], x[1]))
OP1(layer_norm, nrx_t_layer_norm(x[0], 1, x[1], x[2], 1e-3))
OP1(group_norm, nrx_t_group_norm(x[0], 2, x[1], x[2], 1e-3))
static T *f_cross_entropy(void *user, T *const *x, size_t n)
{
    int64_t label[3] = {2, 0, -1};
    U;
    return nrx_t_cross_entropy(x[0], nrx_t_from(x[0]->scope, NRX_I64, nrx_s1(3), label));
}
/* order, joining, indexing */
OP1(sort, nrx_t_mul(nrx_t_sort(x[0], 1, 1), nrx_t_exp(x[0])))
OP1(topk, nrx_t_square(nrx_t_topk(x[0], 2, 2, NULL)))
OP1(concat, nrx_t_square(nrx_t_concat(x, 2, 1)))
OP1(stack, nrx_t_square(nrx_t_stack(x, 2, 1)))
static T *f_split(void *user, T *const *x, size_t n)
{
    T *part[2];
    U;
    if (nrx_t_split(x[0], 2, 2, part) != NRX_OK) return NULL;
    return nrx_t_mul(part[0], nrx_t_exp(part[1]));
}
static T *index_of(nrx_scope *s, nrx_shape shape, size_t below)
{
    T *t = nrx_t_empty(s, NRX_I64, shape);
    size_t i;
    for (i = 0; i < t->size; i++) ((int64_t *)t->data)[i] = (int64_t)(i * 7 % below) - (i % 3 == 0 ? (int64_t)below : 0);
    return t;
}
OP1(gather, nrx_t_square(nrx_t_gather(x[0], 1, index_of(x[0]->scope, nrx_s3(2, 5, 4), 3))))
OP1(scatter_add, nrx_t_square(nrx_t_scatter_add(x[0], 1, index_of(x[0]->scope, nrx_s3(2, 5, 4), 3), x[1])))
OP1(index_select, nrx_t_square(nrx_t_index_select(x[0], 2, index_of(x[0]->scope, nrx_s1(6), 4))))
OP1(pad, nrx_t_square(nrx_t_pad(x[0], 1, 2, 1, NRX_PAD_ZERO, 0.5)))
OP1(pad_reflect, nrx_t_square(nrx_t_pad(x[0], 1, 2, 1, NRX_PAD_REFLECT, 0)))
OP1(pad_replicate, nrx_t_square(nrx_t_pad(x[0], 2, 3, 2, NRX_PAD_REPLICATE, 0)))
OP1(pad_circular, nrx_t_square(nrx_t_pad(x[0], 2, 3, 2, NRX_PAD_CIRCULAR, 0)))
/* products */
OP1(matmul, nrx_t_square(nrx_t_matmul(x[0], x[1])))
OP1(matmul_batch, nrx_t_square(nrx_t_matmul(nrx_t_transpose(x[0], -1, -2), x[1])))
static T *f_einsum(void *user, T *const *x, size_t n) { return nrx_t_square(nrx_t_einsum((const char *)user, x, n)); }
/* convolution: user points to options */
static T *f_conv1d(void *user, T *const *x, size_t n) { return nrx_t_square(nrx_t_conv1d(x[0], x[1], n > 2 ? x[2] : NULL, (const nrx_conv *)user)); }
static T *f_conv2d(void *user, T *const *x, size_t n) { return nrx_t_square(nrx_t_conv2d(x[0], x[1], n > 2 ? x[2] : NULL, (const nrx_conv *)user)); }
static T *f_conv3d(void *user, T *const *x, size_t n) { return nrx_t_square(nrx_t_conv3d(x[0], x[1], n > 2 ? x[2] : NULL, (const nrx_conv *)user)); }
static T *f_convt1d(void *user, T *const *x, size_t n) { return nrx_t_square(nrx_t_conv_transpose1d(x[0], x[1], n > 2 ? x[2] : NULL, (const nrx_conv *)user)); }
static T *f_convt2d(void *user, T *const *x, size_t n) { return nrx_t_square(nrx_t_conv_transpose2d(x[0], x[1], n > 2 ? x[2] : NULL, (const nrx_conv *)user)); }
static T *f_convt3d(void *user, T *const *x, size_t n) { return nrx_t_square(nrx_t_conv_transpose3d(x[0], x[1], n > 2 ? x[2] : NULL, (const nrx_conv *)user)); }
OP1(avg_pool, nrx_t_square(nrx_t_avg_pool2d(x[0], 3, 2, 1)))
OP1(max_pool, nrx_t_square(nrx_t_max_pool2d(x[0], 3, 2, 1)))
OP1(resize, nrx_t_square(nrx_t_resize2d(x[0], 7, 3, NRX_BILINEAR, 0)))
OP1(resize_corners, nrx_t_square(nrx_t_resize2d(x[0], 7, 9, NRX_BILINEAR, 1)))
OP1(resize_nearest, nrx_t_square(nrx_t_resize2d(x[0], 7, 9, NRX_NEAREST, 0)))
OP1(grid_zero, nrx_t_square(nrx_t_grid_sample(x[0], x[1], 0, 0)))
OP1(grid_border, nrx_t_square(nrx_t_grid_sample(x[0], x[1], 1, 1)))
/* Fourier */
OP1(fft, nrx_t_square(nrx_t_fft(nrx_t_complex(x[0], x[1]), NRX_AXIS(1))))
OP1(fftn, nrx_t_exp(nrx_t_scale(nrx_t_fft(nrx_t_complex(x[0], NULL), NRX_ALL_AXES), 0.1)))
OP1(ifft, nrx_t_square(nrx_t_ifft(nrx_t_complex(x[0], x[1]), NRX_AXIS(-1) | NRX_AXIS(0))))
OP1(rfft, nrx_t_square(nrx_t_rfft(x[0], 1)))
OP1(irfft_even, nrx_t_square(nrx_t_irfft(nrx_t_complex(x[0], x[1]), 1, 4)))
OP1(irfft_odd, nrx_t_square(nrx_t_irfft(nrx_t_complex(x[0], x[1]), 1, 5)))
OP1(complex_mul, nrx_t_complex_mul(nrx_t_complex(x[0], x[1]), nrx_t_conj(nrx_t_complex(x[1], x[0]))))
/* linear algebra; inputs are shifted to be well conditioned */
static T *posdef(T *x)
{
    T *y = nrx_t_matmul(x, nrx_t_transpose(x, -1, -2));
    return nrx_t_add(y, nrx_t_eye(x->scope, x->dtype, x->shape[x->ndim - 1]));
}
static T *plus_eye(T *x) { return nrx_t_add(x, nrx_t_scale(nrx_t_eye(x->scope, x->dtype, x->shape[x->ndim - 1]), 3)); }
OP1(cholesky, nrx_t_square(nrx_t_cholesky(posdef(x[0]))))
OP1(cholesky_raw, nrx_t_square(nrx_t_cholesky(nrx_t_add(x[0], nrx_t_scale(nrx_t_eye(x[0]->scope, NRX_F64, 3), 4)))))
OP1(solve, nrx_t_square(nrx_t_solve(plus_eye(x[0]), x[1])))
OP1(trsolve_l, nrx_t_square(nrx_t_triangular_solve(plus_eye(x[0]), x[1], 0, 0)))
OP1(trsolve_lt, nrx_t_square(nrx_t_triangular_solve(plus_eye(x[0]), x[1], 0, 1)))
OP1(trsolve_u, nrx_t_square(nrx_t_triangular_solve(plus_eye(x[0]), x[1], 1, 0)))
OP1(trsolve_ut, nrx_t_square(nrx_t_triangular_solve(plus_eye(x[0]), x[1], 1, 1)))
OP1(inverse, nrx_t_square(nrx_t_inverse(plus_eye(x[0]))))
OP1(det, nrx_t_det(plus_eye(x[0])))
OP1(logdet, nrx_t_logdet(plus_eye(x[0])))
OP1(lstsq, nrx_t_square(nrx_t_lstsq(x[0], x[1])))
static T *f_qr_q(void *user, T *const *x, size_t n) { T *q = NULL; U; nrx_t_qr(x[0], &q, NULL); return nrx_t_exp(q); }
static T *f_qr_r(void *user, T *const *x, size_t n) { T *q = NULL, *r = NULL; U; nrx_t_qr(x[0], &q, &r); return nrx_t_square(r); }
static T *f_eigh_w(void *user, T *const *x, size_t n) { T *w = NULL; U; nrx_t_eigh(x[0], &w, NULL); return nrx_t_square(w); }
static T *f_eigh_v(void *user, T *const *x, size_t n) { T *v = NULL; U; nrx_t_eigh(x[0], NULL, &v); return nrx_t_square(v); } /* free of the sign */
static T *f_svd_s(void *user, T *const *x, size_t n) { T *s = NULL; U; nrx_t_svd(x[0], NULL, &s, NULL); return nrx_t_square(s); }
static T *f_svd_uv(void *user, T *const *x, size_t n)
{
    T *u = NULL, *s = NULL, *vt = NULL, *p;
    U;
    nrx_t_svd(x[0], &u, &s, &vt);
    p = nrx_t_matmul(u, nrx_t_mul(nrx_t_unsqueeze(nrx_t_exp(s), -1), vt)); /* U exp(S) V^T */
    return nrx_t_add(nrx_t_sum(nrx_t_square(p), NRX_ALL_AXES, 0), nrx_t_sum(nrx_t_square(nrx_t_square(vt)), NRX_ALL_AXES, 0));
}
/* operations from outside */
static nrx_status lin_apply(void *user, const void *x, void *y) /* 2 x 4 */
{
    const double *a = (const double *)user, *p = (const double *)x;
    double *q = (double *)y;
    int i, j;
    for (i = 0; i < 2; i++) for (q[i] = 0, j = 0; j < 4; j++) q[i] += a[4 * i + j] * p[j];
    return NRX_OK;
}
static nrx_status lin_adjoint(void *user, const void *y, void *x)
{
    const double *a = (const double *)user, *p = (const double *)y;
    double *q = (double *)x;
    int i, j;
    for (j = 0; j < 4; j++) for (q[j] = 0, i = 0; i < 2; i++) q[j] += a[4 * i + j] * p[i];
    return NRX_OK;
}
static double lin_matrix[8] = {1, -2, 0.5, 3, 0.25, 1, -1, 2};
static T *f_linop(void *user, T *const *x, size_t n)
{
    nrx_linop A = NRX_ZERO;
    U;
    A.apply = lin_apply;
    A.adjoint = lin_adjoint;
    A.user = lin_matrix;
    A.rows = 2;
    A.cols = 4;
    A.dtype = NRX_F64;
    return nrx_t_exp(nrx_t_scale(nrx_t_linop(&A, x[0]), 0.3));
}
static T *cube_forward(void *user, T *const *x, size_t n) { U; return nrx_t_mul(x[0], nrx_t_square(x[0])); }
static nrx_status cube_backward(void *user, T *const *x, size_t n, T *y, T *gy, T **gx)
{
    U; (void)y;
    gx[0] = nrx_t_mul(gy, nrx_t_scale(nrx_t_square(x[0]), 3));
    return gx[0] ? NRX_OK : NRX_E_NOMEM;
}
static T *f_custom(void *user, T *const *x, size_t n)
{
    nrx_t_custom_op op = NRX_ZERO;
    U;
    op.name = "cube";
    op.forward = cube_forward;
    op.backward = cube_backward;
    return nrx_t_custom(&op, x, 1);
}
static T *inside(void *user, T *const *x, size_t n) { U; return nrx_t_tanh(nrx_t_matmul(nrx_t_square(x[0]), x[1])); }
static T *f_checkpoint(void *user, T *const *x, size_t n) { U; return nrx_t_exp(nrx_t_checkpoint(inside, NULL, x, n)); }
static nrx_status quartic(void *user, const void *x, double *value, void *grad)
{
    const double *p = (const double *)x;
    int i;
    (void)user;
    if (value) for (*value = 0, i = 0; i < 24; i++) *value += p[i] * p[i] * p[i] * p[i];
    if (grad) for (i = 0; i < 24; i++) ((double *)grad)[i] = 4 * p[i] * p[i] * p[i];
    return NRX_OK;
}
static T *f_functional(void *user, T *const *x, size_t n)
{
    nrx_functional f = NRX_ZERO;
    U;
    f.eval = quartic;
    f.n = 24;
    f.dtype = NRX_F64;
    return nrx_t_functional(&f, x[0]);
}
/* a function of the gradient itself: third order in the check of order two */
static T *f_gradient(void *user, T *const *x, size_t n)
{
    T *y = nrx_t_sum(nrx_t_mul(nrx_t_sin(x[0]), nrx_t_exp(x[0])), NRX_ALL_AXES, 0), *g = NULL;
    U;
    nrx_t_grad(y, x, 1, &g);
    return nrx_t_square(g);
}
static T *f_jvp(void *user, T *const *x, size_t n)
{
    U;
    return nrx_t_jvp(nrx_t_mul(nrx_t_sin(x[0]), x[1]), x, x, 2);
}

typedef struct { const char *name; nrx_t_fn fn; int order; double lo, hi; nrx_shape s[3]; int n; void *user; } grad_case;
static nrx_conv plain, strided, dilated, grouped, c3, t_out;

#define S0 nrx_s0()
int main(void)
{
    static const double m1 = -0.9, p1 = 0.9;
    nrx_shape cube = nrx_s3(2, 3, 4), row = nrx_s1(4), col = nrx_s3(2, 1, 4), none = nrx_s0();
    size_t eight[8] = {1, 2, 1, 2, 3, 1, 2, 1}, one8[8] = {2, 1, 1, 2, 1, 1, 2, 2};
    int failed_before, second = 0, total = 0;
    nrx_scope *s = nrx_t_scope_open(NULL);
    nrx_rng rng;
    size_t k;
    nrx_t_memory_info info = NRX_ZERO;
    strided.stride[0] = 2; strided.stride[1] = 3; strided.padding[0] = 1; strided.padding[1] = 2;
    dilated.dilation[0] = 2; dilated.dilation[1] = 1; dilated.padding[0] = 2; dilated.padding[1] = 1;
    grouped.groups = 2; grouped.same = 1;
    c3.stride[0] = 1; c3.stride[1] = 2; c3.stride[2] = 2; c3.padding[0] = 1; c3.padding[2] = 1; c3.dilation[0] = 1;
    t_out.stride[0] = 2; t_out.stride[1] = 3; t_out.padding[0] = 1; t_out.output_padding[0] = 1; t_out.output_padding[1] = 2; t_out.dilation[1] = 2;
    {
        const grad_case cases[] = {
#define C1(f, lo, hi) {#f, f_##f, 2, lo, hi, {cube, none, none}, 1, NULL},
#define C2(f, lo, hi, a, b) {#f, f_##f, 2, lo, hi, {a, b, none}, 2, NULL},
            C2(add, m1, p1, cube, row) C2(sub, m1, p1, row, cube) C2(mul, m1, p1, col, cube) C2(div, 0.5, 1.5, cube, col) C2(pow, 0.5, 1.5, cube, row)
            C2(atan2, 0.3, 1, cube, cube) C2(maximum, m1, p1, cube, col) C2(minimum, m1, p1, cube, cube) C2(where, m1, p1, cube, row)
            {"mul 8-d", f_mul, 2, m1, p1, {nrx_s(8, eight), nrx_s(8, one8), none}, 2, NULL},
            {"add zero-size", f_add, 2, m1, p1, {nrx_s3(2, 0, 4), row, none}, 2, NULL},
            {"sum zero-size", f_sum, 2, m1, p1, {nrx_s3(2, 0, 4), none, none}, 1, NULL},
            C1(neg, m1, p1) C1(abs, m1, p1) C1(square, m1, p1) C1(sqrt, 0.5, 2) C1(rsqrt, 0.5, 2) C1(reciprocal, 0.5, 2) C1(exp, m1, p1) C1(expm1, m1, p1)
            C1(log, 0.5, 2) C1(log1p, -0.5, 2) C1(sin, m1, p1) C1(cos, m1, p1) C1(tan, m1, p1) C1(asin, -0.8, 0.8) C1(acos, -0.8, 0.8) C1(atan, m1, p1)
            C1(sinh, m1, p1) C1(cosh, m1, p1) C1(tanh, -2, 2) C1(sigmoid, -3, 3) C1(softplus, -3, 3) C1(silu, -3, 3) C1(erf, -2, 2) C1(gelu, -2, 2)
            C1(relu, m1, p1) C1(leaky_relu, m1, p1) C1(elu, m1, p1) C1(affine, m1, p1) C1(pow_scalar, 0.5, 2) C1(clamp, m1, p1) C1(floor, 0.1, 0.9)
            C1(reshape, m1, p1) C1(reshape_copy, m1, p1) C1(flatten, m1, p1) C1(permute, m1, p1) C1(slice, m1, p1) C1(slice_back, m1, p1) C1(select, m1, p1)
            C1(flip, m1, p1) {"expand", f_expand, 2, m1, p1, {nrx_s2(3, 1), none, none}, 1, NULL},
            C1(squeeze, m1, p1) C1(diagonal, m1, p1) C1(diag, m1, p1) C1(tril, m1, p1) C1(triu, m1, p1) C1(cast, m1, p1) C1(contiguous, m1, p1)
            C1(sum, m1, p1) C1(sum_all, m1, p1) C1(mean, m1, p1) C1(var, m1, p1) C1(prod, m1, p1) C1(norm, m1, p1) C1(logsumexp, m1, p1) C1(max, m1, p1)
            C1(min, m1, p1) C1(cumsum, m1, p1) C1(softmax, m1, p1) C1(softmax_last, m1, p1) C1(log_softmax, m1, p1) C2(mse, m1, p1, cube, row)
            {"layer_norm", f_layer_norm, 2, m1, p1, {cube, nrx_s2(3, 4), nrx_s2(3, 4)}, 3, NULL},
            {"group_norm", f_group_norm, 2, m1, p1, {nrx_s4(2, 4, 2, 3), nrx_s1(4), nrx_s1(4)}, 3, NULL},
            {"cross_entropy", f_cross_entropy, 2, m1, p1, {nrx_s2(3, 5), none, none}, 1, NULL},
            C1(sort, m1, p1) C1(topk, m1, p1) C2(concat, m1, p1, cube, col) C2(stack, m1, p1, cube, cube) C1(split, m1, p1) C1(gather, m1, p1)
            C2(scatter_add, m1, p1, cube, nrx_s3(2, 5, 4)) C1(index_select, m1, p1) C1(pad, m1, p1) C1(pad_reflect, m1, p1) C1(pad_replicate, m1, p1)
            C1(pad_circular, m1, p1)
            C2(matmul, m1, p1, nrx_s2(3, 4), nrx_s2(4, 2)) {"matmul 3-d by 2-d", f_matmul, 2, m1, p1, {cube, nrx_s2(4, 2), none}, 2, NULL},
            {"matmul 4-d by 3-d", f_matmul, 2, m1, p1, {nrx_s4(2, 1, 3, 4), nrx_s3(3, 4, 2), none}, 2, NULL},
            {"matmul vector", f_matmul, 2, m1, p1, {nrx_s1(4), nrx_s2(4, 2), none}, 2, NULL},
            {"matmul dot", f_matmul, 2, m1, p1, {nrx_s1(4), nrx_s1(4), none}, 2, NULL},
            C2(matmul_batch, m1, p1, cube, nrx_s3(2, 3, 2))
            {"einsum ij,jk->ik", f_einsum, 2, m1, p1, {nrx_s2(3, 4), nrx_s2(4, 2), none}, 2, (void *)(uintptr_t)"ij,jk->ik"},
            {"einsum bij,bkj->kb", f_einsum, 2, m1, p1, {cube, nrx_s3(2, 5, 4), none}, 2, (void *)(uintptr_t)"bij,bkj->kb"},
            {"einsum ii->i", f_einsum, 2, m1, p1, {nrx_s2(3, 3), none, none}, 1, (void *)(uintptr_t)"ii->i"},
            {"einsum three", f_einsum, 2, m1, p1, {nrx_s2(2, 3), nrx_s2(3, 4), nrx_s2(4, 2)}, 3, (void *)(uintptr_t)"ij,jk,kl->il"},
            {"einsum trace", f_einsum, 2, m1, p1, {nrx_s2(3, 3), none, none}, 1, (void *)(uintptr_t)"ii"},
            {"conv1d", f_conv1d, 2, m1, p1, {nrx_s3(2, 3, 9), nrx_s3(4, 3, 3), nrx_s1(4)}, 3, &strided},
            {"conv2d", f_conv2d, 2, m1, p1, {nrx_s4(2, 2, 5, 6), nrx_s4(3, 2, 3, 2), nrx_s1(3)}, 3, &plain},
            {"conv2d strided", f_conv2d, 2, m1, p1, {nrx_s4(1, 2, 6, 7), nrx_s4(3, 2, 3, 4), nrx_s1(3)}, 3, &strided},
            {"conv2d dilated", f_conv2d, 2, m1, p1, {nrx_s4(1, 2, 6, 7), nrx_s4(3, 2, 3, 3), none}, 2, &dilated},
            {"conv2d grouped", f_conv2d, 2, m1, p1, {nrx_s4(2, 4, 5, 4), nrx_s4(6, 2, 3, 3), nrx_s1(6)}, 3, &grouped},
            {"conv3d", f_conv3d, 2, m1, p1, {nrx_s5(1, 2, 3, 4, 5), nrx_s5(2, 2, 2, 3, 2), nrx_s1(2)}, 3, &c3},
            {"conv_transpose1d", f_convt1d, 2, m1, p1, {nrx_s3(2, 3, 4), nrx_s3(3, 2, 3), nrx_s1(2)}, 3, &t_out},
            {"conv_transpose2d", f_convt2d, 2, m1, p1, {nrx_s4(1, 2, 3, 3), nrx_s4(2, 3, 3, 2), nrx_s1(3)}, 3, &t_out},
            {"conv_transpose2d grouped", f_convt2d, 2, m1, p1, {nrx_s4(1, 4, 3, 3), nrx_s4(4, 1, 3, 3), none}, 2, &grouped},
            {"conv_transpose3d", f_convt3d, 2, m1, p1, {nrx_s5(1, 2, 2, 3, 2), nrx_s5(2, 1, 2, 3, 2), none}, 2, &c3},
            {"avg_pool", f_avg_pool, 2, m1, p1, {nrx_s4(2, 2, 5, 6), none, none}, 1, NULL},
            {"max_pool", f_max_pool, 2, m1, p1, {nrx_s4(2, 2, 5, 6), none, none}, 1, NULL},
            {"resize", f_resize, 2, m1, p1, {nrx_s4(2, 2, 5, 6), none, none}, 1, NULL},
            {"resize_corners", f_resize_corners, 2, m1, p1, {nrx_s4(2, 2, 5, 6), none, none}, 1, NULL},
            {"resize_nearest", f_resize_nearest, 2, m1, p1, {nrx_s4(2, 2, 5, 6), none, none}, 1, NULL},
            {"grid_zero", f_grid_zero, 2, m1, p1, {nrx_s4(1, 2, 4, 5), nrx_s4(1, 3, 2, 2), none}, 2, NULL},
            {"grid_border", f_grid_border, 2, m1, p1, {nrx_s4(1, 2, 4, 5), nrx_s4(1, 3, 2, 2), none}, 2, NULL},
            C2(fft, m1, p1, cube, cube) C1(fftn, m1, p1) C2(ifft, m1, p1, cube, cube) C1(rfft, m1, p1)
            {"rfft even", f_rfft, 2, m1, p1, {nrx_s2(2, 6), none, none}, 1, NULL},
            C2(irfft_even, m1, p1, cube, cube) C2(irfft_odd, m1, p1, cube, cube) C2(complex_mul, m1, p1, cube, cube)
            {"cholesky", f_cholesky, 2, m1, p1, {nrx_s3(2, 3, 3), none, none}, 1, NULL},
            {"cholesky_raw", f_cholesky_raw, 2, m1, p1, {nrx_s2(3, 3), none, none}, 1, NULL},
            {"solve", f_solve, 2, m1, p1, {nrx_s3(2, 3, 3), nrx_s3(2, 3, 2), none}, 2, NULL},
            {"solve broadcast", f_solve, 2, m1, p1, {nrx_s2(3, 3), nrx_s3(2, 3, 2), none}, 2, NULL},
            {"trsolve_l", f_trsolve_l, 2, m1, p1, {nrx_s2(3, 3), nrx_s2(3, 2), none}, 2, NULL},
            {"trsolve_lt", f_trsolve_lt, 2, m1, p1, {nrx_s2(3, 3), nrx_s2(3, 2), none}, 2, NULL},
            {"trsolve_u", f_trsolve_u, 2, m1, p1, {nrx_s2(3, 3), nrx_s2(3, 2), none}, 2, NULL},
            {"trsolve_ut", f_trsolve_ut, 2, m1, p1, {nrx_s2(3, 3), nrx_s2(3, 2), none}, 2, NULL},
            {"inverse", f_inverse, 2, m1, p1, {nrx_s3(2, 3, 3), none, none}, 1, NULL}, {"det", f_det, 2, m1, p1, {nrx_s3(2, 3, 3), none, none}, 1, NULL},
            {"logdet", f_logdet, 2, m1, p1, {nrx_s3(2, 3, 3), none, none}, 1, NULL}, {"lstsq", f_lstsq, 2, m1, p1, {nrx_s2(5, 3), nrx_s2(5, 2), none}, 2, NULL},
            {"qr q", f_qr_q, 2, m1, p1, {nrx_s3(2, 4, 3), none, none}, 1, NULL}, {"qr r", f_qr_r, 2, m1, p1, {nrx_s2(4, 3), none, none}, 1, NULL},
            {"qr wide q", f_qr_q, 2, m1, p1, {nrx_s2(3, 5), none, none}, 1, NULL}, {"qr wide r", f_qr_r, 2, m1, p1, {nrx_s2(3, 5), none, none}, 1, NULL},
            {"eigh w", f_eigh_w, 2, m1, p1, {nrx_s3(2, 3, 3), none, none}, 1, NULL}, {"eigh v", f_eigh_v, 2, m1, p1, {nrx_s2(4, 4), none, none}, 1, NULL},
            {"svd s", f_svd_s, 2, m1, p1, {nrx_s3(2, 4, 3), none, none}, 1, NULL}, {"svd tall", f_svd_uv, 2, m1, p1, {nrx_s2(4, 3), none, none}, 1, NULL},
            {"svd wide", f_svd_uv, 2, m1, p1, {nrx_s2(3, 5), none, none}, 1, NULL},
            C1(linop, m1, p1) C1(custom, m1, p1) C2(checkpoint, m1, p1, nrx_s2(3, 4), nrx_s2(4, 2))
            {"functional", f_functional, 1, m1, p1, {cube, none, none}, 1, NULL},
            C1(gradient, m1, p1) C2(jvp, m1, p1, cube, cube)
        };
        for (k = 0; k < sizeof cases / sizeof *cases; k++) {
            const grad_case *c = &cases[k];
            T *x[3] = {NULL, NULL, NULL};
            double worst1 = -1, worst2 = -1;
            nrx_status status;
            int i;
            nrx_rng_seed(&rng, 77, k);
            nrx_t_begin(s);
            for (i = 0; i < c->n; i++) x[i] = nrx_t_require_grad(nrx_t_uniform(s, NRX_F64, c->s[i], c->lo, c->hi, &rng), 1);
            failed_before = (int)nrx_test_failures;
            status = nrx_t_gradcheck(c->fn, c->user, x, (size_t)c->n, 1, 0, 1e-6, &worst1);
            CHECK(status == NRX_OK);
            if (c->order == 2) {
                status = nrx_t_gradcheck(c->fn, c->user, x, (size_t)c->n, 2, 1e-5, 1e-5, &worst2);
                CHECK(status == NRX_OK);
                second += status == NRX_OK;
            }
            total++;
            if (nrx_test_failures != failed_before) printf("  in %s: order 1 off by %g, order 2 by %g; %s\n", c->name, worst1, worst2, nrx_t_error(s));
            nrx_t_clear_error(s);
            nrx_t_end(s, NULL);
        }
    }
    CHECK(second >= 100 && total >= 120);
    CHECK(nrx_t_memory(s, &info, 0) == NRX_OK);
    CHECK(info.tensors == 0 && info.bytes == 0 && info.graph_nodes == 0);
    nrx_t_scope_close(s);
    return nrx_test_end();
}
