/* SPDX-License-Identifier: MIT-0 OR Unlicense
   Network workloads: convolutions, an input-convex regularizer's gradient, an adversarial training step, a small potential. */
#define NRX_NETS_IMPLEMENTATION
#include "nrx_nets.h"
#include "bench.h"

static void fill(float *x, size_t n, nrx_rng *r) { size_t i; for (i = 0; i < n; i++) x[i] = (float)nrx_rng_normal(r); }

static void convolution(size_t ci, size_t co, size_t k, size_t hw)
{
    nrx_net *net;
    nrx_net_desc nd = NRX_ZERO;
    nrx_net_conv_desc d = NRX_ZERO;
    nrx_net_plan_desc pd = NRX_ZERO;
    nrx_net_plan *p;
    nrx_rng r;
    char name[64];
    float *x = (float *)malloc(ci * hw * hw * 4), *y = (float *)malloc(co * hw * hw * 4), *g = (float *)malloc(ci * hw * hw * 4);
    nrx_rng_seed(&r, 1, 0);
    fill(x, ci * hw * hw, &r);
    fill(y, co * hw * hw, &r);
    nd.channels = ci;
    d.channels = co; d.kernel = k;
    if (nrx_net_create(&nd, &net) != NRX_OK || nrx_net_conv2d(net, 0, &d) < 0) return;
    pd.height = pd.width = hw; pd.mode = NRX_NET_GRADIENT;
    if (nrx_net_plan_create(net, &pd, &p) != NRX_OK) return;
    sprintf(name, "conv_fwd_%lux%luk%lu_%lu", (unsigned long)ci, (unsigned long)co, (unsigned long)k, (unsigned long)hw);
    BENCH(name, (void)nrx_net_forward(p, x, y));
    sprintf(name, "conv_fwdbwd_%lux%luk%lu_%lu", (unsigned long)ci, (unsigned long)co, (unsigned long)k, (unsigned long)hw);
    BENCH(name, ((void)nrx_net_forward(p, x, y), (void)nrx_net_backward(p, NULL, g, nrx_net_grad(net))));
    nrx_net_plan_free(p);
    nrx_net_free(net);
    free(x); free(y); free(g);
}

/* The critic's loss and all parameter gradients, as nrx_net_train computes them. */
static void critic_step(nrx_net *net, nrx_net_plan *p, const float *a, const float *b, float *m, float *g, size_t n, size_t area)
{
    size_t i, k;
    float seed[16], y[16];
    nrx_net_zero_grad(net);
    for (i = 0; i < n; i++) seed[i] = 1.0f / (float)n;
    (void)nrx_net_forward(p, a, y);
    (void)nrx_net_backward(p, seed, NULL, nrx_net_grad(net));
    for (i = 0; i < n; i++) seed[i] = -seed[i];
    (void)nrx_net_forward(p, b, y);
    (void)nrx_net_backward(p, seed, NULL, nrx_net_grad(net));
    for (i = 0; i < n * area; i++) m[i] = 0.3f * a[i] + 0.7f * b[i];
    (void)nrx_net_forward(p, m, y);
    (void)nrx_net_backward(p, NULL, g, NULL);
    for (i = 0; i < n; i++) {
        double norm = 0;
        for (k = 0; k < area; k++) norm += (double)g[i * area + k] * (double)g[i * area + k];
        norm = sqrt(norm);
        for (k = 0; k < area; k++) g[i * area + k] *= (float)(20 * (norm - 1) / norm / (double)n);
    }
    (void)nrx_net_tangent(p, g, NULL);
    (void)nrx_net_backward_tangent(p, NULL, NULL, NULL, NULL, nrx_net_grad(net));
}

static void potential(nrx_net *net, nrx_net_plan *p, const float *a, float *y, float *g)
{
    size_t i;
    nrx_net_zero_grad(net);
    (void)nrx_net_forward(p, a, y);
    (void)nrx_net_backward(p, NULL, g, NULL);
    for (i = 0; i < 512; i++) g[i] *= 2.0f;
    (void)nrx_net_tangent(p, g, NULL);
    (void)nrx_net_backward_tangent(p, NULL, NULL, NULL, NULL, nrx_net_grad(net));
}

int main(int argc, char **argv)
{
    nrx_net *net;
    nrx_net_icnn_desc d = NRX_ZERO;
    nrx_net_plan_desc pd = NRX_ZERO;
    nrx_net_plan *p;
    nrx_rng r;
    static float a[4 * 128 * 128], b[4 * 128 * 128], g[4 * 128 * 128], m[4 * 128 * 128], y[256];
    BENCH_MAIN(argc, argv);
    nrx_rng_seed(&r, 2, 0);
    fill(a, 4 * 128 * 128, &r);
    fill(b, 4 * 128 * 128, &r);
    convolution(1, 32, 5, 128);
    convolution(32, 32, 5, 128);
    convolution(64, 64, 3, 128);
    convolution(64, 64, 3, 256);
    d.layers = 5; d.channels = 32;
    if (nrx_net_icnn(&d, &net) != NRX_OK) return 1;
    pd.height = pd.width = 128; pd.mode = NRX_NET_GRADIENT;
    if (nrx_net_plan_create(net, &pd, &p) != NRX_OK) return 1;
    BENCH("icnn32k5x5_128_value_and_grad_x", ((void)nrx_net_forward(p, a, y), (void)nrx_net_backward(p, NULL, g, NULL)));
    nrx_net_plan_free(p);
    pd.n = 4; pd.height = pd.width = 64; pd.mode = NRX_NET_PAIR;
    if (nrx_net_plan_create(net, &pd, &p) != NRX_OK) return 1;
    BENCH("icnn32k5x5_b4_64_train_step_gp", critic_step(net, p, a, b, m, g, 4, 64 * 64));
    nrx_net_plan_free(p);
    nrx_net_free(net);
    { /* 2-100-1 tanh: gradient of the input, its squared norm, parameter gradients */
        nrx_net_desc nd = NRX_ZERO;
        nrx_net_dense_desc e = NRX_ZERO;
        int z;
        nd.channels = 2;
        if (nrx_net_create(&nd, &net) != NRX_OK) return 1;
        e.features = 100;
        z = nrx_net_activation(net, nrx_net_dense(net, 0, &e), NRX_NET_TANH, 0, 0);
        e.features = 1;
        (void)nrx_net_dense(net, z, &e);
        memset(&pd, 0, sizeof pd);
        pd.n = 256; pd.mode = NRX_NET_PAIR;
        if (nrx_net_plan_create(net, &pd, &p) != NRX_OK) return 1;
        BENCH("mlp_potential_double_backward_b256", potential(net, p, a, y, g));
        nrx_net_plan_free(p);
        nrx_net_free(net);
    }
    return 0;
}
