/* The adam block: reference trajectories, both precisions, constraints, refused gradients, resuming to the bit, threads.
   SPDX-License-Identifier: MIT-0 OR Unlicense
   run: alloc threads */
#define NRX_TEST_POOL
#include "nrx_test.h"
#define NRX_OPTIM_IMPLEMENTATION
#include "nrx_optim.h"
#include "nrx_test.h"

static nrx_param block(const char *name, void *value, void *grad, size_t rows, size_t cols, int dtype, int constraint)
{
    nrx_param p = NRX_ZERO;
    p.name = name; p.value = value; p.grad = grad; p.rows = rows; p.cols = cols; p.dtype = dtype; p.constraint = constraint;
    return p;
}

/* Ten steps on 1/2 sum h w^2, h = (1, 10, 100), from (1, 1, 1): tabulated to 15 digits. */
static void trajectories(void)
{
    static const struct { int kind, nesterov; double lr, momentum, decay, want[3]; } run[5] = {
        {NRX_ADAM_SGD, 0, 0.01, 0, 0, {0.904382075008805, 0.348678440100000, 0}},
        {NRX_ADAM_SGD, 0, 0.002, 0.9, 0, {0.918673290977179, 0.307119761101153, 0.004399870600000}},
        {NRX_ADAM_SGD, 1, 0.002, 0.9, 0, {0.907818895921172, 0.263148593478060, 0.051360735662902}},
        {NRX_ADAM_ADAM, 0, 0.1, 0, 0, {0.076249160619755, 0.076249151596637, 0.076249150694325}},
        {NRX_ADAM_ADAM, 0, 0.1, 0, 0.01, {0.071695502074564, 0.071695493098724, 0.071695492201140}}};
    static const double h[3] = {1, 10, 100};
    int r, t, i;
    for (r = 0; r < 5; r++) {
        double w[3] = {1, 1, 1}, g[3];
        float wf[3] = {1, 1, 1}, gf[3];
        nrx_param p[2];
        nrx_adam a;
        nrx_adam_desc d = NRX_ZERO;
        p[0] = block("w", w, g, 1, 3, NRX_F64, NRX_FREE);
        p[1] = block("wf", wf, gf, 3, 1, NRX_F32, NRX_FREE);
        d.kind = run[r].kind; d.nesterov = run[r].nesterov; d.lr = run[r].lr; d.momentum = run[r].momentum; d.weight_decay = run[r].decay;
        CHECK_ALWAYS(nrxi_adam_init("x", &a, p, 2, &d) == NRX_OK);
        for (t = 0; t < 10; t++) {
            for (i = 0; i < 3; i++) { g[i] = h[i] * w[i]; gf[i] = (float)h[i] * wf[i]; }
            CHECK_ALWAYS(nrxi_adam_step("x", &a) == NRX_OK);
        }
        for (i = 0; i < 3; i++) {
            CHECK_NEAR(w[i], run[r].want[i], 2e-15);
            CHECK_NEAR(wf[i], run[r].want[i], 3e-6);
        }
        nrxi_adam_drop(&a);
    }
}

/* The vector loops against the formula in f64, on a length that leaves a rest. */
static void kernels(void)
{
    enum { N = 3 * 1024 + 37 };
    static float w[N], g[N], m[N], v[N];
    nrx_test_rng r = {3};
    int i, kind;
    for (kind = 0; kind < 2; kind++) {
        nrx_param p = block("w", w, g, N, 1, NRX_F32, NRX_FREE);
        nrx_adam a;
        nrx_adam_desc d = NRX_ZERO;
        double norm = 0, wd[N], md[N], vd[N];
        int t;
        d.kind = kind; d.momentum = 0.9; d.nesterov = 1; d.lr = 0.01; d.weight_decay = 0.1; d.clip_norm = 20;
        CHECK_ALWAYS(nrxi_adam_init("x", &a, &p, 1, &d) == NRX_OK);
        for (i = 0; i < N; i++) { w[i] = (float)nrx_test_signed(&r); wd[i] = (double)w[i]; md[i] = vd[i] = 0; }
        for (t = 1; t <= 3; t++) {
            double s;
            norm = 0;
            for (i = 0; i < N; i++) { g[i] = (float)nrx_test_signed(&r); norm += (double)g[i] * (double)g[i]; }
            norm = sqrt(norm);
            s = norm > 20 ? 20 / norm : 1;
            CHECK_ALWAYS(nrxi_adam_step("x", &a) == NRX_OK);
            CHECK_REL(a.grad_norm, norm, 1e-6);
            for (i = 0; i < N; i++) {
                double x = s * (double)g[i];
                if (kind == NRX_ADAM_ADAM) {
                    md[i] = 0.9 * md[i] + 0.1 * x;
                    vd[i] = 0.999 * vd[i] + 0.001 * x * x;
                    wd[i] = wd[i] * (1 - 0.001) - 0.01 * (md[i] / (1 - pow(0.9, t))) / (sqrt(vd[i] / (1 - pow(0.999, t))) + 1e-8);
                } else {
                    md[i] = 0.9 * md[i] + x;
                    wd[i] = wd[i] * (1 - 0.001) - 0.01 * (x + 0.9 * md[i]);
                }
            }
        }
        for (i = 0; i < N; i++) CHECK_NEAR(w[i], wd[i], 5e-7);
        nrxi_adam_drop(&a);
    }
    (void)m; (void)v;
}

static void constraints(void)
{
    double w[4][6], g[4][6];
    nrx_param p[4];
    nrx_adam a;
    nrx_adam_desc d = NRX_ZERO;
    nrx_test_rng r = {8};
    int i, j, t;
    for (i = 0; i < 4; i++) {
        for (j = 0; j < 6; j++) w[i][j] = 2 * nrx_test_signed(&r);
        p[i] = block("w", w[i], g[i], 2, 3, NRX_F64, i + 1);
    }
    d.lr = 0.1;
    CHECK_ALWAYS(nrxi_adam_init("x", &a, p, 4, &d) == NRX_OK);
    for (t = 0; t < 5; t++) {
        for (i = 0; i < 24; i++) g[i / 6][i % 6] = nrx_test_signed(&r);
        CHECK_ALWAYS(nrxi_adam_step("x", &a) == NRX_OK);
        for (j = 0; j < 6; j++) CHECK(w[0][j] >= 0);
        for (i = 0; i < 2; i++) {
            CHECK_NEAR(w[1][3 * i] + w[1][3 * i + 1] + w[1][3 * i + 2], 0, 1e-14);
            CHECK(w[2][3 * i] * w[2][3 * i] + w[2][3 * i + 1] * w[2][3 * i + 1] + w[2][3 * i + 2] * w[2][3 * i + 2] <= 1 + 1e-14);
        }
        { /* largest eigenvalue of the 2 x 2 Gram matrix, in closed form */
            double *q = w[3], aa = q[0] * q[0] + q[1] * q[1] + q[2] * q[2], bb = q[3] * q[3] + q[4] * q[4] + q[5] * q[5];
            double ab = q[0] * q[3] + q[1] * q[4] + q[2] * q[5];
            CHECK(0.5 * (aa + bb + hypot(aa - bb, 2 * ab)) <= 1 + 1e-6);
        }
    }
    nrxi_adam_drop(&a);
}

static void refused_and_resumed(void)
{
    enum { N = 20 };
    float w[N], g[N], w2[N];
    double wd[1] = {1}, gd[1] = {1e200};
    nrx_param p[2], p2[2];
    nrx_adam a, b;
    nrx_adam_desc d = NRX_ZERO;
    nrx_test_log_state log = {0, 0, ""};
    unsigned char *state;
    size_t n;
    int i, t;
    for (i = 0; i < N; i++) { w[i] = (float)i; g[i] = 1; }
    p[0] = block("weights", w, g, 4, 5, NRX_F32, NRX_FREE);
    p[1] = block("scale", wd, gd, 1, 1, NRX_F64, NRX_FREE);
    NRX_TEST_LOG_ENV(d.env, log);
    CHECK_ALWAYS(nrxi_adam_init("nrx_y", &a, p, 2, &d) == NRX_OK);
    CHECK_ALWAYS(nrxi_adam_step("nrx_y", &a) == NRX_E_NUMERIC); /* its square would overflow */
    CHECK_ALWAYS(strstr(log.last, "'scale'") && strstr(log.last, "too large") && a.skipped == 1 && a.steps == 0);
    gd[0] = 1e-200;
    g[7] = (float)INFINITY;
    CHECK_ALWAYS(nrxi_adam_step("nrx_y", &a) == NRX_E_NUMERIC && strstr(log.last, "'weights'") && strstr(log.last, "not finite"));
    g[7] = (float)NAN;
    CHECK_ALWAYS(nrxi_adam_step("nrx_y", &a) == NRX_E_NUMERIC);
    g[7] = 1;
    for (i = 0; i < N; i++) CHECK_ALWAYS(w[i] == (float)i);
    for (t = 0; t < 3; t++) CHECK_ALWAYS(nrxi_adam_step("nrx_y", &a) == NRX_OK);
    CHECK_ALWAYS(nrxi_all_finite(w, N, NRX_F32) && nrxi_all_finite(wd, 1, NRX_F64));
    n = nrxi_adam_save_size(&a);
    state = (unsigned char *)malloc(n);
    nrxi_adam_save(&a, state);
    memcpy(w2, w, sizeof w);
    p2[0] = block("weights", w2, g, 4, 5, NRX_F32, NRX_FREE);
    { double w3[1]; w3[0] = wd[0];
    p2[1] = block("scale", w3, gd, 1, 1, NRX_F64, NRX_FREE);
    CHECK_ALWAYS(nrxi_adam_init("nrx_y", &b, p2, 2, &d) == NRX_OK);
    CHECK_ALWAYS(nrxi_adam_restore("nrx_y", &b, state, n - 1) == NRX_E_FORMAT);
    CHECK_ALWAYS(nrxi_adam_restore("nrx_y", &b, state, 12) == NRX_E_FORMAT);
    CHECK_ALWAYS(nrxi_adam_restore("nrx_y", &b, state, n) == NRX_OK);
    for (t = 0; t < 3; t++) {
        for (i = 0; i < N; i++) g[i] = (float)cos(i + t);
        CHECK_ALWAYS(nrxi_adam_step("nrx_y", &a) == NRX_OK && nrxi_adam_step("nrx_y", &b) == NRX_OK);
    }
    CHECK_ALWAYS(memcmp(w, w2, sizeof w) == 0 && w3[0] == wd[0]);
    nrxi_adam_drop(&b); }
    nrxi_adam_drop(&a);
    free(state);
    p[0].dtype = 7;
    CHECK_ALWAYS(nrxi_adam_init("nrx_y", &a, p, 2, &d) == NRX_E_ARG);
    p[0] = block("w", w, NULL, 4, 5, NRX_F32, NRX_FREE);
    CHECK_ALWAYS(nrxi_adam_init("nrx_y", &a, p, 2, &d) == NRX_E_ARG);
    p[0] = block("w", w, g, (size_t)-1 / 2, 5, NRX_F32, NRX_FREE);
    CHECK_ALWAYS(nrxi_adam_init("nrx_y", &a, p, 2, &d) == NRX_E_RANGE);
    d.lr = -1;
    CHECK_ALWAYS(nrxi_adam_init("nrx_y", &a, p, 0, &d) == NRX_E_ARG);
}

#if defined(NRX_TEST_ALLOC)
static void allocations(void)
{
    float w[6] = {0}, g[6] = {0};
    nrx_param p = block("w", w, g, 2, 3, NRX_F32, NRX_UNIT_SPECTRAL);
    nrx_adam a;
    nrx_adam_desc d = NRX_ZERO;
    nrx_test_heap heap;
    NRX_TEST_EACH_ALLOC(d.env, heap, nrxi_adam_init("x", &a, &p, 1, &d), nrxi_adam_drop(&a));
}
#endif

#if defined(NRX_TEST_THREADS)
static void threads(void)
{
    enum { N = 200000 };
    float *w = (float *)malloc(N * 4), *g = (float *)malloc(N * 4);
    nrx_param p = block("w", w, g, N, 1, NRX_F32, NRX_FREE);
    nrx_adam a;
    nrx_adam_desc d = NRX_ZERO;
    int i, t, workers;
    NRX_TEST_POOL_ENV(d.env, workers);
    d.clip_norm = 1;
    for (i = 0; i < N; i++) w[i] = (float)sin(i);
    CHECK_ALWAYS(nrxi_adam_init("x", &a, &p, 1, &d) == NRX_OK);
    for (t = 0; t < 3; t++) {
        for (i = 0; i < N; i++) g[i] = w[i] * (float)(1 + i % 7);
        CHECK_ALWAYS(nrxi_adam_step("x", &a) == NRX_OK);
    }
    nrx_test_checksum("adam", w, N * 4);
    nrxi_adam_drop(&a);
    free(w);
    free(g);
}
#endif

int main(void)
{
#if defined(NRX_TEST_ALLOC)
    allocations();
#elif defined(NRX_TEST_THREADS)
    threads();
#else
    trajectories();
    kernels();
    constraints();
    refused_and_resumed();
#endif
    return nrx_test_end();
}
