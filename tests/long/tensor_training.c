/* 10^5 training steps neither grow memory nor change bits with the number of threads; and 300 steps whose element-wise work
   and products are large enough to be cut into pieces.
   SPDX-License-Identifier: MIT-0 OR Unlicense */
#define NRX_TEST_POOL
#include "nrx_test.h"
#define NRX_TENSOR_IMPLEMENTATION
#include "nrx_tensor.h"
#include "nrx_test.h"

typedef nrx_tensor T;

/* Trains 3 -> hidden -> 1 on `batch` points with `workers` threads (0 = no pool); the weights go to bits[3 * hidden]. */
static void train(int steps, size_t batch, size_t hidden, int workers, double *bits)
{
    nrx_scope_desc d = NRX_ZERO;
    nrx_t_memory_info early = NRX_ZERO, late;
    nrx_scope *s;
    nrx_rng r;
    T *w[4], *x, *y, *loss;
    int step, k;
    if (workers) { d.env.parallel_for = nrx_test_parallel_for; d.env.parallel_user = &workers; }
    s = nrx_t_scope_open(&d);
    nrx_rng_seed(&r, 9, 0);
    x = nrx_t_normal(s, NRX_F64, nrx_s2(batch, 3), 0, 1, &r);
    y = nrx_t_sum(nrx_t_sin(x), NRX_AXIS(1), 1);
    w[0] = nrx_t_normal(s, NRX_F64, nrx_s2(3, hidden), 0, 0.5, &r);
    w[1] = nrx_t_zeros(s, NRX_F64, nrx_s1(hidden));
    w[2] = nrx_t_normal(s, NRX_F64, nrx_s2(hidden, 1), 0, 0.3, &r);
    w[3] = nrx_t_zeros(s, NRX_F64, nrx_s1(1));
    for (k = 0; k < 4; k++) nrx_t_require_grad(w[k], 1);
    for (step = 0; step < steps; step++) {
        nrx_t_begin(s);
        nrx_t_zero_grad(w, 4);
        loss = nrx_t_tanh(nrx_t_add(nrx_t_matmul(x, w[0]), w[1]));
        loss = nrx_t_mse(nrx_t_add(nrx_t_matmul(loss, w[2]), w[3]), y);
        nrx_t_backward(loss, 0);
        for (k = 0; k < 4; k++) nrx_t_add_scaled(w[k], -0.05, w[k]->grad);
        nrx_t_end(s, NULL);
        if (step == 100) nrx_t_memory(s, &early, 1);
    }
    nrx_t_memory(s, &late, 0);
    CHECK(early.reserved_bytes == late.reserved_bytes && early.bytes == late.bytes && early.tensors == late.tensors);
    CHECK(late.graph_nodes == 0 && nrx_t_status(s) == NRX_OK);
    nrx_t_read(w[0], bits);
    nrx_t_scope_close(s);
}

int main(void)
{
    static double a[3 * 64], b[3 * 64];
    train(100000, 32, 8, 1, a);
    train(100000, 32, 8, 2, b);
    CHECK(memcmp(a, b, 24 * sizeof *a) == 0);
    train(300, 2000, 64, 1, a);
    train(300, 2000, 64, 2, b);
    CHECK(memcmp(a, b, 192 * sizeof *a) == 0);
    train(300, 2000, 64, 0, b);
    CHECK(memcmp(a, b, 192 * sizeof *a) == 0);
    return nrx_test_end();
}
