/* SPDX-License-Identifier: MIT-0 OR Unlicense
   run: alloc
   Bounds over boxes: never contradicted by values and gradients at random points of random networks, exact for affine networks, tight on small
   boxes, at most the global Lipschitz bound, right in f64 against an evaluation written here; unknown layers and bad boxes are refused. */
#include "../nrx_test.h"
#ifndef NRX_TEST_LINKED
#define NRX_NETS_IMPLEMENTATION
#endif
#include "nrx_nets.h"
#include "../nrx_test.h"
#ifndef POINTS
#define POINTS 425 /* per box, 102,000 in all */
#endif

static nrx_test_rng rng = {4242};
static double slack_seen, points_seen;

/* Random weights of a network so that every layer matters. */
static void shake(nrx_net *net, double size)
{
    nrx_param list[64];
    size_t n = nrx_net_params(net, list, 64), i, k;
    for (i = 0; i < n; i++) {
        float *w = (float *)list[i].value;
        double s = size / sqrt((double)list[i].cols);
        if (strstr(list[i].name, "log_") || strstr(list[i].name, "var")) continue;
        for (k = 0; k < list[i].rows * list[i].cols; k++) w[k] = (float)(s * nrx_test_signed(&rng) + (strstr(list[i].name, "gain") ? 1.0 : 0.0));
    }
    nrx_net_project(net);
}

/* Random points of boxes of several sizes: values inside, gradients and difference quotients below the bound. */
static void contain(nrx_net *net, size_t c, size_t h, size_t w, double where, const char *name)
{
    static const double radii[4] = {1.0, 0.2, 0.02, 0.0};
    size_t n = c * h * w, shape[4], i, k, t, b, m;
    float *x = (float *)malloc(8 * n * sizeof *x), *lo = x + n, *hi = lo + n, *g = hi + n, *seed, *y, *y0;
    double *low, *up, *wide;
    nrx_net_plan_desc pd = NRX_ZERO;
    nrx_net_plan *plan = NULL;
    nrx_net_report global, local, loose;
    long before = nrx_test_failures;
    pd.height = h; pd.width = w; pd.mode = NRX_NET_GRADIENT;
    CHECK(nrx_net_plan_create(net, &pd, &plan) == NRX_OK && nrx_net_certify(net, h, w, &global) == NRX_OK);
    nrx_net_plan_output_shape(plan, shape);
    m = shape[1] * shape[2] * shape[3];
    y = (float *)malloc(3 * m * sizeof *y); y0 = y + m; seed = y0 + m;
    low = (double *)malloc(4 * m * sizeof *low); up = low + m; wide = up + m;
    for (b = 0; b < 4; b++) {
        nrx_net_box box = NRX_ZERO;
        for (i = 0; i < n; i++) {
            double at = where * nrx_test_signed(&rng), r = radii[b] * (b == 1 ? nrx_test_uniform(&rng) : 1.0);
            lo[i] = (float)(at - r); hi[i] = (float)(at + r);
        }
        box.lower = lo; box.upper = hi;
        CHECK(nrx_net_bounds(net, h, w, &box, low, up, &local) == NRX_OK);
        CHECK(local.lip <= global.lip && local.rho <= global.rho && local.lip_gradient <= global.lip_gradient && local.mu >= global.mu);
        box.interval = 1;
        CHECK(nrx_net_bounds(net, h, w, &box, wide, wide + m, &loose) == NRX_OK);
        CHECK(loose.lip <= global.lip);
        for (k = 0; k < m; k++) CHECK(up[k] - low[k] <= 1.01 * (wide[m + k] - wide[k]) + 1e-12); /* grids differ a little */
        for (t = 0; t < POINTS; t++) {
            double g2 = 0, s2 = 0, d2 = 0, dy = 0;
            for (i = 0; i < n; i++) {
                double f = t % 3 == 0 ? (double)nrx_test_below(&rng, 2) : nrx_test_uniform(&rng); /* corners too */
                x[i] = (float)((double)lo[i] + f * ((double)hi[i] - (double)lo[i]));
                if (x[i] < lo[i]) x[i] = lo[i];
                if (x[i] > hi[i]) x[i] = hi[i];
                d2 += ((double)x[i] - (double)g[i]) * ((double)x[i] - (double)g[i]);
            }
            CHECK(nrx_net_forward(plan, x, y) == NRX_OK);
            for (k = 0; k < m; k++) {
                double tol = 1e-5 * (1 + fabs(low[k]) + fabs(up[k])), v = (double)y[k]; /* an f32 run */
                CHECK(v >= low[k] - tol && v <= up[k] + tol);
                if (v < low[k]) slack_seen = fmax(slack_seen, (low[k] - v) / tol);
                if (v > up[k]) slack_seen = fmax(slack_seen, (v - up[k]) / tol);
                seed[k] = (float)nrx_test_signed(&rng);
                s2 += (double)seed[k] * (double)seed[k];
                dy += ((double)y[k] - (double)y0[k]) * ((double)y[k] - (double)y0[k]);
            }
            if (t > 0 && local.lip < 1e300) CHECK(sqrt(dy) <= local.lip * sqrt(d2) * (1 + 1e-5) + 1e-5 * (1 + fabs(low[0]) + fabs(up[0])) * sqrt((double)m));
            memcpy(y0, y, m * sizeof *y);
            CHECK(nrx_net_backward(plan, seed, g, NULL) == NRX_OK);
            for (i = 0; i < n; i++) g2 += (double)g[i] * (double)g[i];
            CHECK(sqrt(g2) <= (local.lip * (1 + 1e-5) + 1e-6) * sqrt(s2)); /* |J^T s| <= lip |s| */
            memcpy(g, x, n * sizeof *g);
            points_seen++;
        }
        if (nrx_test_failures != before) { printf("in %s, radius %g, lip %g of %g: %s\n", name, radii[b], local.lip, global.lip, local.text); break; }
    }
    nrx_net_plan_free(plan);
    free(x); free(y); free(low);
}

static nrx_net *start(size_t channels)
{
    nrx_net_desc d = NRX_ZERO;
    nrx_net *net = NULL;
    d.channels = channels;
    CHECK(nrx_net_create(&d, &net) == NRX_OK);
    return net;
}

static void every_function(void)
{
    int kind, deep;
    for (kind = 0; kind <= NRX_NET_CLIP; kind++)
        for (deep = 0; deep < 2; deep++) {
            nrx_net *net = start(6);
            nrx_net_dense_desc d = NRX_ZERO;
            int x = 0, k;
            char name[40];
            d.features = 7;
            for (k = 0; k <= deep; k++) x = nrx_net_activation(net, nrx_net_dense(net, x, &d), kind, kind == NRX_NET_CLIP ? -0.3 : kind % 2 ? 1.0 : 0.4, 0.5);
            d.features = 2;
            CHECK(nrx_net_dense(net, x, &d) >= 0);
            shake(net, kind == NRX_NET_EXP || kind == NRX_NET_SQUARE ? 1.0 : 3.0);
            sprintf(name, "activation %d, %d deep", kind, deep + 1);
            contain(net, 6, 1, 1, 1.5, name);
            nrx_net_free(net);
        }
}

static void every_layer(void)
{
    int pad, which;
    for (pad = 0; pad < 5; pad++) { /* strides, groups, dilation, transposes */
        nrx_net *net = start(2);
        nrx_net_conv_desc d = NRX_ZERO;
        int x;
        d.channels = 4; d.kernel = 3; d.padding = pad; d.groups = 2; d.stride = 1 + (size_t)pad % 2;
        x = nrx_net_activation(net, nrx_net_conv2d(net, 0, &d), NRX_NET_SILU, 0, 0);
        memset(&d, 0, sizeof d);
        d.channels = 3; d.kernel = 2; d.kernel_height = 3; d.padding = pad == 2 ? 3 : pad; d.dilation = pad == 3 ? 2 : 1;
        x = nrx_net_activation(net, nrx_net_conv2d(net, x, &d), NRX_NET_LEAKY_RELU, 0.1, 0);
        memset(&d, 0, sizeof d);
        d.channels = 2; d.kernel = 3; d.stride = 2; d.output_padding = 1;
        x = nrx_net_conv_transpose2d(net, x, &d);
        (void)nrx_net_mean(net, nrx_net_activation(net, x, NRX_NET_SOFTPLUS, 5, 0));
        shake(net, 2);
        contain(net, 2, 5, 6, 1, "convolutions");
        nrx_net_free(net);
    }
    for (which = 0; which < 9; which++) {
        nrx_net *net = start(2);
        nrx_net_conv_desc d = NRX_ZERO;
        int x, y;
        d.channels = 2; d.kernel = 3;
        x = nrx_net_activation(net, nrx_net_conv2d(net, 0, &d), NRX_NET_TANH, 0, 0);
        d.padding = NRX_NET_PAD_REFLECT;
        y = nrx_net_conv2d(net, 0, &d);
        switch (which) {
        case 0: x = nrx_net_multiply(net, x, y); break;
        case 1: x = nrx_net_slice(net, nrx_net_concat(net, x, y), 1, 2); break;
        case 2: x = nrx_net_add(net, nrx_net_avg_pool(net, x, 2), nrx_net_max_pool(net, y, 2), 1, -0.5); break;
        case 3: x = nrx_net_resize(net, nrx_net_max_pool(net, nrx_net_add(net, x, y, 1, 1), 2), 2, 1); break;
        case 4: x = nrx_net_resize(net, nrx_net_add(net, x, nrx_net_spatial_mean(net, y), 2, 1), 3, 0); break;
        case 5: x = nrx_net_batch_norm(net, nrx_net_scale_learned(net, x, 1, 0, 1, 0, NULL), 1e-5, NULL); break;
        case 6: x = nrx_net_spline(net, nrx_net_add(net, x, y, 1, 1), 9, 1.5, 0, NRX_NET_RELU, 0, NULL); break;
        case 7: x = nrx_net_spline(net, y, 8, 1.0, 1, NRX_NET_RELU, 0, NULL); break;
        default: x = nrx_net_ridge(net, y, 1.0, 1.0, 0.5, -0.3, 0, NULL); break;
        }
        (void)nrx_net_sqnorm(net, nrx_net_bias(net, nrx_net_scale(net, x, -0.7), NULL));
        shake(net, 1.5);
        contain(net, 2, 4, 5, 1, "layers");
        nrx_net_free(net);
    }
    for (which = 0; which < 6; which++) { /* ready-made regularizers */
        nrx_net *net = NULL;
        nrx_net_icnn_desc i = NRX_ZERO;
        nrx_net_crr_desc c = NRX_ZERO;
        nrx_net_cnn_desc u = NRX_ZERO;
        i.layers = 3; i.channels = 4; i.kernel = 3; i.quadratic = 0.1; i.filter_bank = 0;
        i.activation = which == 1 ? NRX_NET_SMOOTH_RELU : 0; i.activation_a = which == 1 ? 0.05 : 0; i.init = 0.2;
        c.filters = 6; c.kernel = 3; c.padding = which == 4 ? NRX_NET_PAD_REPLICATE : 0;
        u.channels = 2; u.scales = 2; u.layers = 1;
        CHECK((which < 2 ? nrx_net_icnn(&i, &net) : which == 2 ? nrx_net_iwcnn(&i, &net) : which == 3 ? nrx_net_crr(&c, &net)
            : which == 4 ? nrx_net_wcrr(&c, &net) : nrx_net_unet(&u, &net)) == NRX_OK);
        contain(net, 1, 6, 6, 0.5, which == 5 ? "U-Net" : which > 2 ? "ridge" : "input-convex");
        nrx_net_free(net);
    }
}

/* One number through each function: slopes and values on a fine grid lie inside, and the bounds are not far off. */
static void one_number(void)
{
    int kind, trial, t;
    for (kind = 0; kind <= NRX_NET_CLIP; kind++) {
        nrx_net *net = start(1);
        nrx_net_plan_desc pd = NRX_ZERO;
        nrx_net_plan *plan = NULL;
        pd.mode = NRX_NET_GRADIENT;
        (void)nrx_net_activation(net, 0, kind, kind == NRX_NET_CLIP ? -0.3 : kind == NRX_NET_SINE ? 3.0 : kind % 2 ? 1.0 : 0.4, 0.5);
        CHECK(nrx_net_plan_create(net, &pd, &plan) == NRX_OK);
        for (trial = 0; trial < 60; trial++) {
            float c = (float)(2 * nrx_test_signed(&rng)), x, y, g;
            double radius = trial % 3 ? 0.3 * nrx_test_uniform(&rng) : 1.2, low, up, least = HUGE_VAL, most = -HUGE_VAL, steep = 0, wide;
            nrx_net_box box = NRX_ZERO;
            nrx_net_report r;
            box.centre = &c; box.radius = radius;
            CHECK(nrx_net_bounds(net, 1, 1, &box, &low, &up, &r) == NRX_OK);
            for (t = 0; t <= 400; t++) {
                x = (float)((double)c + radius * (t / 200.0 - 1));
                CHECK(nrx_net_forward(plan, &x, &y) == NRX_OK && nrx_net_backward(plan, NULL, &g, NULL) == NRX_OK);
                least = fmin(least, (double)y); most = fmax(most, (double)y); steep = fmax(steep, fabs((double)g));
            }
            CHECK(least >= low - 1e-6 * (1 + fabs(low)) && most <= up + 1e-6 * (1 + fabs(up)));
            CHECK(steep <= r.lip + 2e-6 * (1 + steep));
            wide = fmax(fabs(low), fabs(up));
            CHECK(up - low <= (most - least) * 1.03 + 1e-6 * (1 + wide)); /* 400 points and 16 or more cells */
            CHECK(r.lip <= steep + 0.15 * fmax(1, steep));
            if (nrx_test_failures) { printf("function %d, [%g, %g]: values %.9g .. %.9g in %.9g .. %.9g, slope %.9g of %.9g\n", kind, (double)c - radius, (double)c + radius, least, most, low, up, steep, r.lip); return; }
        }
        nrx_net_plan_free(plan);
        nrx_net_free(net);
    }
}

/* An affine network is bounded exactly, and in f64: A x + b by rows of absolute values, its norm by power iteration. */
static void affine(void)
{
    enum { N = 5, M = 8, K = 3 };
    nrx_net *net = start(N);
    nrx_net_dense_desc d = NRX_ZERO;
    nrx_param list[8];
    double A[K][N], bias[K], low[K], up[K], v[N], u[K], norm = 0, s;
    float lo[N], hi[N], *w1, *b1, *w2, *b2;
    nrx_net_box box = NRX_ZERO;
    nrx_net_report r;
    int i, j, k, x;
    d.features = M;
    x = nrx_net_dense(net, 0, &d);
    d.features = K;
    (void)nrx_net_dense(net, nrx_net_activation(net, x, NRX_NET_IDENTITY, 0, 0), &d);
    shake(net, 3);
    CHECK(nrx_net_params(net, list, 8) == 4);
    w1 = (float *)list[0].value; b1 = (float *)list[1].value; w2 = (float *)list[2].value; b2 = (float *)list[3].value;
    for (i = 0; i < N; i++) { double at = nrx_test_signed(&rng), h = nrx_test_uniform(&rng); lo[i] = (float)(at - h); hi[i] = (float)(at + h); v[i] = 1 + 0.1 * i; }
    for (k = 0; k < K; k++) {
        bias[k] = (double)b2[k];
        for (j = 0; j < M; j++) bias[k] += (double)w2[k * M + j] * (double)b1[j];
        for (i = 0; i < N; i++) for (j = 0, A[k][i] = 0; j < M; j++) A[k][i] += (double)w2[k * M + j] * (double)w1[j * N + i];
    }
    for (j = 0; j < 2000; j++) {
        for (k = 0; k < K; k++) for (i = 0, u[k] = 0; i < N; i++) u[k] += A[k][i] * v[i];
        for (i = 0, s = 0; i < N; i++) { for (k = 0, v[i] = 0; k < K; k++) v[i] += A[k][i] * u[k]; s += v[i] * v[i]; }
        norm = sqrt(sqrt(s));
        for (i = 0; i < N; i++) v[i] /= sqrt(s);
    }
    box.lower = lo; box.upper = hi;
    CHECK(nrx_net_bounds(net, 0, 0, &box, low, up, &r) == NRX_OK);
    for (k = 0; k < K; k++) {
        double a = bias[k], b = bias[k];
        for (i = 0; i < N; i++) {
            a += A[k][i] * (double)(A[k][i] > 0 ? lo[i] : hi[i]);
            b += A[k][i] * (double)(A[k][i] > 0 ? hi[i] : lo[i]);
        }
        CHECK(low[k] <= a + 1e-14 && up[k] >= b - 1e-14); /* 1e-14: rounding of this test */
        CHECK_NEAR(low[k], a, 1e-12);
        CHECK_NEAR(up[k], b, 1e-12);
    }
    CHECK(r.lip >= norm * (1 - 1e-12) && r.lip <= norm * pow((double)K, 1.0 / 32) * (1 + 1e-6)); /* the factor that nrx_net_certify's norm may add */
    CHECK(r.convexity == NRX_CONVEX || r.rho == 0);
    nrx_net_free(net);
}

/* f64: tanh and softplus nets evaluated here stay inside without any tolerance but this test's own rounding; small boxes are tight. */
static void rigour(void)
{
    enum { N = 4, M = 10 };
    int trial, t, i, j, which;
    for (trial = 0; trial < 40; trial++) {
        nrx_net *net = start(N);
        nrx_net_dense_desc d = NRX_ZERO;
        nrx_param list[8];
        float c[N], *w1, *b1, *w2, *b2, *w3;
        double low, up, least = HUGE_VAL, most = -HUGE_VAL, steep = 0, radius = trial % 2 ? 0.5 : 1e-3;
        nrx_net_box box = NRX_ZERO;
        nrx_net_report r;
        which = trial % 4 < 2 ? NRX_NET_TANH : NRX_NET_SOFTPLUS;
        d.features = M;
        i = nrx_net_activation(net, nrx_net_dense(net, 0, &d), which, 1, 0);
        i = nrx_net_activation(net, nrx_net_dense(net, i, &d), which, 1, 0);
        d.features = 1; d.no_bias = 1;
        (void)nrx_net_dense(net, i, &d);
        shake(net, 2);
        CHECK(nrx_net_params(net, list, 8) == 5);
        w1 = (float *)list[0].value; b1 = (float *)list[1].value; w2 = (float *)list[2].value; b2 = (float *)list[3].value; w3 = (float *)list[4].value;
        for (i = 0; i < N; i++) c[i] = (float)nrx_test_signed(&rng);
        box.centre = c; box.radius = radius;
        CHECK(nrx_net_bounds(net, 0, 0, &box, &low, &up, &r) == NRX_OK);
        for (t = 0; t < 400; t++) {
            double x[N], h[M], g[M], dh[M][N], dg[N], y = 0, grad = 0;
            for (i = 0; i < N; i++) x[i] = (double)c[i] + radius * (t % 2 ? nrx_test_signed(&rng) : (t >> (i + 1)) & 1 ? 1 : -1);
            for (j = 0; j < M; j++) {
                double a = (double)b1[j];
                for (i = 0; i < N; i++) a += (double)w1[j * N + i] * x[i];
                h[j] = which == NRX_NET_TANH ? tanh(a) : log1p(exp(a));
                for (i = 0; i < N; i++) dh[j][i] = (double)w1[j * N + i] * (which == NRX_NET_TANH ? 1 - h[j] * h[j] : 1 / (1 + exp(-a)));
            }
            memset(dg, 0, sizeof dg);
            for (j = 0; j < M; j++) {
                double a = (double)b2[j], s, v;
                int k;
                for (k = 0; k < M; k++) a += (double)w2[j * M + k] * h[k];
                g[j] = which == NRX_NET_TANH ? tanh(a) : log1p(exp(a));
                s = (which == NRX_NET_TANH ? 1 - g[j] * g[j] : 1 / (1 + exp(-a))) * (double)w3[j];
                y += (double)w3[j] * g[j];
                for (i = 0; i < N; i++) { for (k = 0, v = 0; k < M; k++) v += (double)w2[j * M + k] * dh[k][i]; dg[i] += s * v; }
            }
            for (i = 0; i < N; i++) grad += dg[i] * dg[i];
            CHECK(y >= low - 1e-14 && y <= up + 1e-14);
            CHECK(sqrt(grad) <= r.lip * (1 + 1e-14));
            if (y < least) least = y;
            if (y > most) most = y;
            if (grad > steep) steep = grad;
        }
        if (radius < 0.01) { /* corners are among the points: the form is right to first order */
            CHECK(up - low <= 1.05 * (most - least));
            CHECK(r.lip <= 1.05 * sqrt(steep));
        }
        nrx_net_free(net);
    }
}

static void refusals(void)
{
    nrx_net *net = start(1);
    nrx_net_box box = NRX_ZERO;
    nrx_test_log_state log = NRX_ZERO;
    float x[16] = {0}, hi[16] = {0};
    double low[16], up[16];
    NRX_TEST_LOG_ENV(box.env, log);
    (void)nrx_net_group_norm(net, 0, 1, 1e-5, "strange");
    box.centre = x; box.radius = 1;
    CHECK(nrx_net_bounds(net, 4, 4, &box, low, up, NULL) == NRX_E_UNSUPPORTED && strstr(log.last, "strange"));
    nrx_net_free(net);
    net = start(1);
    (void)nrx_net_activation(net, 0, NRX_NET_EXP, 0, 0);
    CHECK(nrx_net_bounds(net, 4, 4, &box, low, up, NULL) == NRX_OK && fabs(up[3] - exp(1)) < 1e-12 && fabs(low[3] - exp(-1)) < 1e-12);
    box.radius = 1e4;
    CHECK(nrx_net_bounds(net, 4, 4, &box, low, up, NULL) == NRX_E_RANGE && strstr(log.last, "overflow"));
    box.radius = -1;
    CHECK(nrx_net_bounds(net, 4, 4, &box, low, up, NULL) == NRX_E_ARG);
    box.radius = (double)NAN;
    CHECK(nrx_net_bounds(net, 4, 4, &box, low, up, NULL) == NRX_E_ARG);
    box.lower = x;
    CHECK(nrx_net_bounds(net, 4, 4, &box, low, up, NULL) == NRX_E_ARG);
    box.upper = hi;
    hi[7] = -1;
    CHECK(nrx_net_bounds(net, 4, 4, &box, low, up, NULL) == NRX_E_ARG && strstr(log.last, "number 7"));
    hi[7] = 1;
    CHECK(nrx_net_bounds(net, 4, 4, &box, NULL, NULL, NULL) == NRX_OK);
    CHECK(nrx_net_bounds(NULL, 4, 4, &box, low, up, NULL) == NRX_E_ARG && nrx_net_bounds(net, 4, 4, NULL, low, up, NULL) == NRX_E_ARG);
    nrx_net_free(net);
}

#if defined(NRX_TEST_ALLOC)
static void memory(void)
{
    nrx_test_heap heap;
    nrx_net *net = NULL;
    nrx_net_icnn_desc d = NRX_ZERO;
    nrx_net_box box = NRX_ZERO;
    nrx_net_report r;
    float x[25] = {0};
    double low, up;
    d.layers = 2; d.channels = 2; d.kernel = 3;
    CHECK(nrx_net_icnn(&d, &net) == NRX_OK);
    box.centre = x; box.radius = 1;
    NRX_TEST_EACH_ALLOC(box.env, heap, nrx_net_bounds(net, 5, 5, &box, &low, &up, &r), (void)0);
    nrx_net_free(net);
}
#endif

int main(void)
{
#if defined(NRX_TEST_ALLOC)
    memory();
#endif
    one_number();
    every_function();
    every_layer();
    affine();
    rigour();
    refusals();
    if (getenv("NRX_TEST_SAY")) printf("%.0f points, largest overshoot of f32 values %.3g of their tolerance\n", points_seen, slack_seen);
    return nrx_test_end();
}
