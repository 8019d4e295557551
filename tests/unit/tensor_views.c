/* Views, levels, recycling, in-place rules, second uses of a graph, no-grad, checkpoint and parameters.
   SPDX-License-Identifier: MIT-0 OR Unlicense
   run: alloc threads fp */
#define NRX_TEST_POOL
#include "nrx_test.h"
#define NRX_TENSOR_IMPLEMENTATION
#include "nrx_tensor.h"
#include "nrx_test.h"

typedef nrx_tensor T;

static double el(T *x, size_t a, size_t b, size_t c)
{
    size_t i[3];
    i[0] = a; i[1] = b; i[2] = c;
    return nrx_t_get(x, i);
}

static void views(void)
{
    nrx_scope *s = nrx_t_scope_open(NULL);
    T *x = nrx_t_reshape(nrx_t_arange(s, NRX_F64, 0, 1, 24), nrx_s3(2, 3, 4)), *v;
    double mine[6] = {1, 2, 3, 4, 5, 6};
    ptrdiff_t stride[2] = {1, 2};
    int order[3] = {2, 0, 1};
    size_t i;
    CHECK(el(x, 1, 2, 3) == 23);
    v = nrx_t_permute(x, order);
    CHECK(v->data == x->data && v->shape[0] == 4 && el(v, 3, 1, 2) == 23);
    v = nrx_t_slice(x, 2, -1, NRX_END, -2);
    CHECK(v->shape[2] == 2 && el(v, 0, 0, 0) == 3 && el(v, 0, 0, 1) == 1);
    v = nrx_t_slice(x, 1, 5, 9, 1);
    CHECK(v && v->size == 0);
    v = nrx_t_slice(x, 1, -2, -1, 1);
    CHECK(v->shape[1] == 1 && el(v, 0, 0, 0) == 4);
    v = nrx_t_flip(x, NRX_AXIS(0) | NRX_AXIS(-1));
    CHECK(el(v, 0, 0, 0) == 15 && v->stride[2] == -1);
    v = nrx_t_expand(nrx_t_select(x, 1, 0), nrx_s3(5, 2, 4));
    CHECK(v->stride[0] == 0 && el(v, 4, 1, 3) == 15);
    v = nrx_t_reshape(nrx_t_slice(x, 0, 0, 1, 1), nrx_s2(4, NRX_AUTO)); /* still a view */
    CHECK(v->data == x->data && v->shape[1] == 3);
    v = nrx_t_reshape(nrx_t_transpose(x, 1, 2), nrx_s1(24)); /* must copy */
    CHECK(v->data != x->data && nrx_t_get(v, (i = 1, &i)) == 4);
    v = nrx_t_squeeze(nrx_t_unsqueeze(x, -1), NRX_ALL_AXES);
    CHECK(v->ndim == 3 && v->data == x->data);
    v = nrx_t_diagonal(nrx_t_select(x, 0, 1), 0, 1);
    CHECK(v->size == 3 && nrx_t_get(v, (i = 2, &i)) == 22);
    v = nrx_t_wrap(s, NRX_F64, nrx_s2(2, 3), stride, mine); /* column-major */
    i = 0;
    CHECK(nrx_t_item(nrx_t_select(nrx_t_select(v, 0, 1), 0, 2)) == 6);
    nrx_t_fill(v, 7);
    CHECK(mine[0] == 7 && mine[5] == 7);
    /* writing through overlapping views reads the old values */
    v = nrx_t_arange(s, NRX_F64, 0, 1, 6);
    CHECK(nrx_t_set(nrx_t_slice(v, 0, 1, 6, 1), nrx_t_slice(v, 0, 0, 5, 1)) == NRX_OK);
    for (i = 1; i < 6; i++) CHECK(nrx_t_get(v, &i) == (double)i - 1);
    CHECK(nrx_t_status(s) == NRX_OK);
    nrx_t_scope_close(s);
}

/* A training loop: memory stays where the second step put it, and nothing leaks. */
static double train(nrx_scope *s, int steps, double *bits, nrx_t_memory_info *early, nrx_t_memory_info *late)
{
    nrx_rng r;
    T *w[4], *x, *y, *loss;
    nrx_param p[4];
    double last = 0;
    int step, k;
    nrx_rng_seed(&r, 9, 0);
    nrx_t_begin(s);
    x = nrx_t_normal(s, NRX_F64, nrx_s2(64, 3), 0, 1, &r);
    y = nrx_t_sum(nrx_t_sin(x), NRX_AXIS(1), 1);
    w[0] = nrx_t_normal(s, NRX_F64, nrx_s2(3, 16), 0, 0.5, &r);
    w[1] = nrx_t_zeros(s, NRX_F64, nrx_s1(16));
    w[2] = nrx_t_normal(s, NRX_F64, nrx_s2(16, 1), 0, 0.3, &r);
    w[3] = nrx_t_zeros(s, NRX_F64, nrx_s1(1));
    for (k = 0; k < 4; k++) nrx_t_require_grad(w[k], 1);
    CHECK(nrx_t_params(w, 4, p) == NRX_OK && p[0].rows == 3 && p[0].cols == 16 && p[3].rows == 1 && p[3].cols == 1);
    for (step = 0; step < steps; step++) {
        nrx_t_begin(s);
        nrx_t_zero_grad(w, 4);
        loss = nrx_t_tanh(nrx_t_add(nrx_t_matmul(x, w[0]), w[1]));
        loss = nrx_t_mse(nrx_t_add(nrx_t_matmul(loss, w[2]), w[3]), y);
        last = nrx_t_item(loss);
        nrx_t_backward(loss, 0);
        for (k = 0; k < 4; k++) { CHECK_ALWAYS(p[k].grad == w[k]->grad->data); nrx_t_add_scaled(w[k], -0.05, w[k]->grad); }
        nrx_t_end(s, NULL);
        if (step == 200) nrx_t_memory(s, early, 0);
    }
    nrx_t_memory(s, late, 0);
    memcpy(bits, w[0]->data, 48 * sizeof *bits);
    nrx_t_end(s, NULL);
    return last;
}

static void loops(void)
{
    nrx_scope *s = nrx_t_scope_open(NULL);
    nrx_t_memory_info early = NRX_ZERO, late = NRX_ZERO;
    double bits[48];
    CHECK(train(s, 2000, bits, &early, &late) < 0.1);
    CHECK(early.reserved_bytes == late.reserved_bytes && early.bytes == late.bytes && early.tensors == late.tensors);
    nrx_t_memory(s, &late, 0);
    CHECK(late.tensors == 0 && late.bytes == 0 && late.graph_nodes == 0);
    nrx_t_scope_close(s);
}

static void threads(void)
{
    nrx_scope_desc d = NRX_ZERO;
    nrx_scope *s;
    nrx_rng r;
    T *x, *w, *y, *g[2], *in[2];
    nrx_conv o = NRX_ZERO;
    int workers;
    NRX_TEST_POOL_ENV(d.env, workers);
    s = nrx_t_scope_open(&d);
    nrx_rng_seed(&r, 1, 2);
    x = nrx_t_require_grad(nrx_t_normal(s, NRX_F32, nrx_s4(2, 9, 64, 70), 0, 1, &r), 1);
    w = nrx_t_require_grad(nrx_t_normal(s, NRX_F32, nrx_s4(13, 9, 3, 3), 0, 1, &r), 1);
    o.same = 1;
    y = nrx_t_logsumexp(nrx_t_tanh(nrx_t_conv2d(x, w, NULL, &o)), NRX_ALL_AXES, 0);
    in[0] = x; in[1] = w;
    CHECK(nrx_t_grad(y, in, 2, g) == NRX_OK);
    if (g[0] && g[1]) {
        nrx_test_checksum("value", y->data, 4);
        nrx_test_checksum("gx", g[0]->data, g[0]->size * 4);
        nrx_test_checksum("gw", g[1]->data, g[1]->size * 4);
    }
    y = nrx_t_normal(s, NRX_F64, nrx_s2(300, 1000), 0, 1, &r);
    y = nrx_t_matmul(nrx_t_softmax(y, 0), nrx_t_transpose(y, 0, 1));
    nrx_test_checksum("matmul", y->data, y->size * 8);
    x = nrx_t_sum(nrx_t_normal(s, NRX_F32, nrx_s1(1000003), 0, 1, &r), 1, 0);
    nrx_test_checksum("sum", x->data, 4);
    CHECK(nrx_t_status(s) == NRX_OK);
    nrx_t_scope_close(s);
}

/* The whole machine once, for the run in which each allocation fails in turn. */
static nrx_status everything(const nrx_env *env)
{
    nrx_scope_desc d = NRX_ZERO;
    nrx_scope *s;
    nrx_status status;
    T *x, *w, *y, *g[2], *in[2], *u, *sv, *vt;
    nrx_rng r;
    int i;
    d.env = *env;
    s = nrx_t_scope_open(&d);
    if (!s) return NRX_E_NOMEM;
    nrx_rng_seed(&r, 1, 2);
    x = nrx_t_require_grad(nrx_t_normal(s, NRX_F64, nrx_s4(1, 2, 6, 6), 0, 1, &r), 1);
    w = nrx_t_require_grad(nrx_t_normal(s, NRX_F64, nrx_s4(3, 2, 3, 3), 0, 1, &r), 1);
    y = nrx_t_conv2d(x, w, NULL, NULL);
    y = nrx_t_softmax(nrx_t_reshape(y, nrx_s2(3, NRX_AUTO)), 0);
    nrx_t_svd(y, &u, &sv, &vt);
    y = nrx_t_sum(nrx_t_rfft(sv, 0), NRX_ALL_AXES, 0);
    in[0] = x; in[1] = w;
    if (y && nrx_t_grad(y, in, 2, g) == NRX_OK) y = nrx_t_sum(nrx_t_square(g[0]), NRX_ALL_AXES, 0);
    if (y) nrx_t_backward(y, 0);
    for (i = 0; i < 300; i++) nrx_t_free(nrx_t_scalar(s, NRX_F32, 1));
    status = nrx_t_status(s);
    nrx_t_scope_close(s);
    return status;
}

static void each_allocation(void)
{
    nrx_env env = NRX_ZERO;
    nrx_test_heap heap;
    NRX_TEST_EACH_ALLOC(env, heap, everything(&env), (void)0);
}

static T *deep(void *user, T *const *x, size_t n)
{
    T *y = x[0];
    int i;
    (void)user; (void)n;
    nrx_t_begin(y->scope);
    for (i = 0; i < 30; i++) y = nrx_t_tanh(nrx_t_add(y, x[1]));
    return nrx_t_end(x[0]->scope, y);
}

static void graphs(void)
{
    nrx_scope *s = nrx_t_scope_open(NULL);
    nrx_t_memory_info kept = NRX_ZERO, small = NRX_ZERO;
    T *x, *b, *in[2], *y, *g, *h, *a1[2], *a2[2];
    double zero = 0;
    int k;
    size_t i;
    x = nrx_t_require_grad(nrx_t_full(s, NRX_F64, nrx_s1(1000), 0.3), 1);
    b = nrx_t_require_grad(nrx_t_full(s, NRX_F64, nrx_s1(1000), 0.1), 1);
    in[0] = x; in[1] = b;
    /* a checkpoint keeps its inputs only, and gives the same gradients */
    nrx_t_begin(s);
    y = deep(NULL, in, 2);
    nrx_t_memory(s, &kept, 0);
    nrx_t_no_grad(s, 1); /* gradients that are not recorded, so that they hold no graph */
    CHECK(nrx_t_grad(y, in, 2, a1) == NRX_OK);
    nrx_t_no_grad(s, 0);
    nrx_t_keep(a1[0]); nrx_t_keep(a1[1]);
    nrx_t_end(s, NULL);
    nrx_t_begin(s);
    y = nrx_t_checkpoint(deep, NULL, in, 2);
    nrx_t_memory(s, &small, 0);
    CHECK(kept.bytes > 10 * 8000 + small.bytes && small.graph_nodes == 1);
    CHECK(nrx_t_grad(y, in, 2, a2) == NRX_OK);
    for (k = 0; k < 2; k++) CHECK(nrx_t_item(nrx_t_max(nrx_t_abs(nrx_t_sub(a1[k], a2[k])), 1, 0)) == 0);
    CHECK(nrx_t_backward(y, 0) == NRX_OK && x->grad && b->grad);
    CHECK(nrx_t_item(nrx_t_max(nrx_t_abs(nrx_t_sub(x->grad, a1[0])), 1, 0)) == 0);
    nrx_t_end(s, NULL);
    /* gradients add up; keep_graph allows a second pass */
    nrx_t_zero_grad(in, 2);
    y = nrx_t_sum(nrx_t_mul(x, nrx_t_mul(x, b)), 1, 0);
    CHECK(nrx_t_backward(y, 1) == NRX_OK && nrx_t_backward(y, 0) == NRX_OK);
    i = 5;
    CHECK_NEAR(nrx_t_get(x->grad, &i), 4 * 0.3 * 0.1, 1e-15);
    /* no-grad records nothing; a detached tensor is a constant */
    nrx_t_no_grad(s, 1);
    y = nrx_t_mul(x, x);
    CHECK(!y->requires_grad);
    CHECK(nrx_t_no_grad(s, 0) == 1);
    CHECK(nrx_t_grad(nrx_t_sum(nrx_t_mul(x, nrx_t_detach(x)), 1, 0), &x, 1, &g) == NRX_OK);
    CHECK_NEAR(nrx_t_get(g, &i), 0.3, 1e-16);
    /* what y does not depend on has the gradient zero; the gradient of y with respect to y is one */
    y = nrx_t_square(x);
    CHECK(nrx_t_grad(y, &b, 1, &g) == NRX_OK && nrx_t_get(g, &i) == zero && nrx_t_grad(y, &y, 1, &h) == NRX_OK && nrx_t_get(h, &i) == 1);
    /* a chain of 10^5 operations neither recurses nor overflows */
    y = nrx_t_require_grad(nrx_t_scalar(s, NRX_F64, 1), 1);
    b = y;
    nrx_t_begin(s);
    for (k = 0; k < 100000; k++) y = nrx_t_shift(y, 1e-6);
    CHECK(nrx_t_backward(y, 0) == NRX_OK && nrx_t_item(b->grad) == 1);
    nrx_t_end(s, NULL);
    /* Hessian against the formula, and batched directions against a loop */
    x = nrx_t_require_grad(nrx_t_linspace(s, NRX_F64, -1, 1, 4), 1);
    h = nrx_t_hessian(nrx_t_sum(nrx_t_mul(nrx_t_square(x), x), 1, 0), x);
    for (i = 0; i < 16; i++) {
        size_t at[2];
        at[0] = i / 4; at[1] = i % 4;
        CHECK_NEAR(nrx_t_get(h, at), i % 5 ? 0 : 6 * (-1 + 2.0 / 3 * (double)(i / 4)), 1e-14);
    }
    y = nrx_t_cumsum(nrx_t_exp(x), 0);
    h = nrx_t_jvp_batch(y, x, nrx_t_eye(s, NRX_F64, 4));
    g = nrx_t_jacobian(y, x);
    CHECK(h && g && nrx_t_item(nrx_t_max(nrx_t_abs(nrx_t_sub(h, nrx_t_transpose(g, 0, 1))), NRX_ALL_AXES, 0)) < 1e-14);
    CHECK(nrx_t_status(s) == NRX_OK);
    if (nrx_t_status(s)) printf("  %s\n", nrx_t_error(s));
    nrx_t_scope_close(s);
}

int main(void)
{
#if defined(NRX_TEST_ALLOC)
    each_allocation();
#elif defined(NRX_TEST_THREADS)
    threads();
#else
    views();
    loops();
    graphs();
    threads();
    each_allocation();
#endif
    return nrx_test_end();
}
