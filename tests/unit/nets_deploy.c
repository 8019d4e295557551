/* SPDX-License-Identifier: MIT-0 OR Unlicense
   run: alloc
   What is done with a trained network: tiles with exact seams, slice stacks, blur operators, samples of a posterior against its closed form,
   denoisers, validation with early stop, learned ISTA against ISTA, the weight from the noise, and MAID on a bilevel problem with a known optimum. */
#include "../nrx_test.h"
#define NRX_NETS_IMPLEMENTATION
#include "nrx_nets.h"
#include "../nrx_test.h"

static nrx_test_rng rng = {4242};
static float *noise(size_t n, double scale)
{
    float *x = (float *)malloc((n ? n : 1) * sizeof *x);
    size_t i;
    for (i = 0; i < n; i++) x[i] = (float)(scale * nrx_test_signed(&rng));
    return x;
}

/* ---- tiles ---- */

static void tile_case(nrx_net *net, const char *name, size_t h, size_t w)
{
    static const size_t tiles[4] = {8, 13, 24, 100};
    nrx_net_plan_desc pd = NRX_ZERO;
    nrx_net_plan *p;
    size_t i, t, n = h * w;
    float *x = noise(n, 1), *whole = noise(n, 1), *tiled = noise(n, 1);
    pd.height = h; pd.width = w;
    CHECK(nrx_net_plan_create(net, &pd, &p) == NRX_OK && nrx_net_forward(p, x, whole) == NRX_OK);
    for (t = 0; t < 4; t++) {
        double worst = 0, top = 0;
        for (i = 0; i < n; i++) tiled[i] = 77;
        CHECK(nrx_net_tiled(net, h, w, tiles[t], x, tiled, NULL) == NRX_OK);
        for (i = 0; i < n; i++) {
            worst = fmax(worst, fabs((double)whole[i] - (double)tiled[i]));
            top = fmax(top, fabs((double)whole[i]));
        }
        if (!(worst <= 1e-5 * top)) printf("%s, tile %lu: off by %g of %g\n", name, (unsigned long)tiles[t], worst, top);
        CHECK(worst <= 1e-5 * top);
    }
    nrx_net_plan_free(p);
    nrx_net_free(net);
    free(x); free(whole); free(tiled);
}

static void tiles(void)
{
    nrx_net_cnn_desc c = NRX_ZERO;
    nrx_net_conv_desc d = NRX_ZERO;
    nrx_net_desc nd = NRX_ZERO;
    nrx_test_log_state lines = {0, 0, ""};
    nrx_net *n = NULL;
    float x[64] = {0};
    size_t halo, grid;
    int k, a;
    c.channels = 8; c.layers = 5;
    for (k = NRX_NET_PAD_ZERO; k <= NRX_NET_PAD_REPLICATE; k++) {
        if (k == NRX_NET_PAD_CIRCULAR) continue;
        c.padding = k;
        CHECK(nrx_net_dncnn(&c, &n) == NRX_OK);
        CHECK(nrx_net_reach(n, &halo, &grid) == NRX_OK && halo == 5 && grid == 1);
        tile_case(n, "dncnn", 61, 83);
    }
    c.padding = 0; c.channels = 4; c.layers = 2; c.scales = 3;
    CHECK(nrx_net_unet(&c, &n) == NRX_OK); tile_case(n, "unet", 60, 84);
    c.blocks = 1;
    CHECK(nrx_net_drunet(&c, &n) == NRX_OK); tile_case(n, "drunet", 60, 84);
    CHECK(nrx_net_create(&nd, &n) == NRX_OK); /* dilation, pooling, bilinear enlargement, a skip */
    d.channels = 3; d.kernel = 3; d.dilation = 3; d.padding = NRX_NET_PAD_REFLECT;
    a = nrx_net_activation(n, nrx_net_conv2d(n, 0, &d), NRX_NET_TANH, 0, 0);
    a = nrx_net_resize(n, nrx_net_avg_pool(n, a, 2), 2, 1);
    d.channels = 1; d.kernel = 5; d.dilation = 1;
    a = nrx_net_conv2d(n, a, &d);
    (void)nrx_net_add(n, a, 0, 1, 1);
    tile_case(n, "pool and enlarge", 46, 62);
    nd.env.log = nrx_test_log; nd.env.log_user = &lines;
    CHECK(nrx_net_create(&nd, &n) == NRX_OK); /* what cannot be cut says so, by name */
    d.padding = NRX_NET_PAD_CIRCULAR; d.name = "wrap";
    (void)nrx_net_conv2d(n, 0, &d);
    CHECK(nrx_net_tiled(n, 8, 8, 4, x, x, NULL) == NRX_E_UNSUPPORTED && strstr(lines.last, "wrap"));
    nrx_net_free(n);
    CHECK(nrx_net_create(&nd, &n) == NRX_OK);
    (void)nrx_net_group_norm(n, 0, 1, 0, "gn");
    CHECK(nrx_net_tiled(n, 8, 8, 4, x, x, NULL) == NRX_E_UNSUPPORTED && strstr(lines.last, "gn"));
    nrx_net_free(n);
}

static void slices(void)
{
    enum { D = 5, H = 7, W = 9, AREA = H * W };
    nrx_net_cnn_desc c = NRX_ZERO;
    nrx_net_crr_desc r = NRX_ZERO;
    nrx_net_plan_desc pd = NRX_ZERO;
    nrx_net_plan *p;
    nrx_net *n = NULL;
    nrx_functional f, stack;
    float *x = noise(D * AREA, 1), y[D * AREA], in[3 * AREA], out[AREA], g[D * AREA], g1[AREA];
    double v, total = 0, one;
    size_t z, k;
    c.inputs = 3; c.channels = 4; c.layers = 3;
    CHECK(nrx_net_dncnn(&c, &n) == NRX_OK && nrx_net_slices(n, D, H, W, x, y, NULL) == NRX_OK);
    pd.height = H; pd.width = W;
    CHECK(nrx_net_plan_create(n, &pd, &p) == NRX_OK);
    for (z = 0; z < D; z++) {
        for (k = 0; k < 3; k++) memcpy(in + k * AREA, x + (z + k == 0 ? 0 : z + k - 1 >= D ? D - 1 : z + k - 1) * AREA, sizeof out);
        CHECK(nrx_net_forward(p, in, out) == NRX_OK && memcmp(out, y + z * AREA, sizeof out) == 0);
    }
    nrx_net_plan_free(p);
    nrx_net_free(n);
    r.filters = 4;
    CHECK(nrx_net_crr(&r, &n) == NRX_OK && nrx_net_functional(n, H, W, NULL, &f) == NRX_OK);
    CHECK(nrx_net_stack_functional(&f, D, NULL, &stack) == NRX_OK && stack.n == D * AREA && stack.lip == f.lip && stack.convexity == NRX_CONVEX);
    CHECK(stack.eval(stack.user, x, &v, g) == NRX_OK);
    for (z = 0; z < D; z++) {
        CHECK(f.eval(f.user, x + z * AREA, &one, g1) == NRX_OK && memcmp(g1, g + z * AREA, sizeof g1) == 0);
        total += one;
    }
    CHECK(total == v);
    nrx_net_stack_functional_free(&stack);
    nrx_net_functional_free(&f);
    nrx_net_free(n);
    free(x);
}

/* ---- blur ---- */

static void blur_case(size_t h, size_t w, size_t kh, size_t kw)
{
    nrx_linop op;
    size_t n = h * w, y, x, a, b, i;
    float *k = noise(kh * kw, 1), *in = noise(n, 1), *out = noise(n, 1), *back = noise(n, 1), *u = noise(n, 1);
    double worst = 0, top = 0, lhs = 0, rhs = 0, norm = 0;
    CHECK(nrx_net_blur(h, w, k, kh, kw, NULL, &op) == NRX_OK && op.rows == n && op.cols == n);
    CHECK(op.apply(op.user, in, out) == NRX_OK);
    for (y = 0; y < h; y++) for (x = 0; x < w; x++) { /* the definition */
        double s = 0;
        for (a = 0; a < kh; a++) for (b = 0; b < kw; b++)
            s += (double)k[a * kw + b] * (double)in[(y + h + kh / 2 - a) % h * w + (x + w + kw / 2 - b) % w];
        worst = fmax(worst, fabs(s - (double)out[y * w + x]));
        top = fmax(top, fabs(s));
    }
    CHECK(worst <= 3e-6 * top);
    CHECK(op.adjoint(op.user, u, back) == NRX_OK);
    for (i = 0; i < n; i++) { lhs += (double)out[i] * (double)u[i]; rhs += (double)in[i] * (double)back[i]; }
    CHECK_NEAR(lhs, rhs, 2e-6 * top * (double)n);
    for (a = 0; a < 300; a++) { /* power iteration from below */
        double s = 0;
        CHECK(op.apply(op.user, in, out) == NRX_OK && op.adjoint(op.user, out, in) == NRX_OK);
        for (i = 0; i < n; i++) s += (double)in[i] * (double)in[i];
        norm = sqrt(sqrt(s));
        for (i = 0; i < n; i++) in[i] /= (float)sqrt(s);
    }
    CHECK(norm <= op.norm * (1 + 1e-5) && norm >= 0.98 * op.norm);
    CHECK(nrx_net_blur_solve(&op, 0.3, u, back) == NRX_OK);
    CHECK(op.apply(op.user, back, out) == NRX_OK && op.adjoint(op.user, out, in) == NRX_OK);
    for (i = 0, worst = 0; i < n; i++) worst = fmax(worst, fabs((double)in[i] + 0.3 * (double)back[i] - (double)u[i]));
    CHECK(worst <= 2e-5 * (1 + op.norm));
    nrx_net_blur_free(&op);
    free(k); free(in); free(out); free(back); free(u);
}

/* ---- samples of a Gaussian posterior ---- */

/* One step of the scheme on the scalar potential p x^2/2: x -> a x + b z, from the published recursion. */
static void scalar_step(size_t stages, double d, double p, double *a, double *b)
{
    int part;
    for (part = 0; part < 2; part++) { /* x = 1, z = 0; then x = 0, z = 1 */
        double x = part == 0, z = part == 1, q = sqrt(2 * d), eta = 0.05, s = (double)stages, w0 = 1 + eta / (s * s), t[64], u[64], w1, km, k, result;
        size_t j;
        if (stages == 1) result = x - d * p * x + q * z;
        else {
            t[0] = 1; t[1] = w0; u[0] = 0; u[1] = 1; /* T_j and T_j' */
            for (j = 2; j <= stages; j++) { t[j] = 2 * w0 * t[j - 1] - t[j - 2]; u[j] = 2 * t[j - 1] + 2 * w0 * u[j - 1] - u[j - 2]; }
            w1 = t[stages] / u[stages];
            km = x;
            k = x - w1 / w0 * d * p * (x + s * w1 / 2 * q * z) + s * w1 / w0 * q * z;
            for (j = 2; j <= stages; j++) {
                double next = -2 * w1 * t[j - 1] / t[j] * d * p * k + 2 * w0 * t[j - 1] / t[j] * k - t[j - 2] / t[j] * km;
                km = k;
                k = next;
            }
            result = k;
        }
        *(part ? b : a) = result;
    }
}

static void gaussian(size_t stages)
{
    enum { N = 8, AREA = N * N };
    static const float kernel[3] = {0.15f, 0.6f, 0.25f};
    nrx_linop A;
    nrx_net_desc nd = NRX_ZERO;
    nrx_net_langevin_desc d = NRX_ZERO;
    nrx_net_langevin_info info;
    nrx_net *n = NULL;
    nrx_functional f;
    float *y = noise(AREA, 1), x[AREA] = {0}, mean[AREA], variance[AREA], exact[AREA], b[AREA];
    double sigma = 0.5, q = 1.5, se_mean = 0, se_var = 0, v = 0, got = 0, biased = 0, worst = 0;
    size_t i;
    int fy, fx;
    CHECK(nrx_net_blur(N, N, kernel, 1, 3, NULL, &A) == NRX_OK && nrx_net_create(&nd, &n) == NRX_OK);
    (void)nrx_net_scale(n, nrx_net_sqnorm(n, 0), 0.5 * q);
    CHECK(nrx_net_functional(n, N, N, NULL, &f) == NRX_OK && f.convexity == NRX_CONVEX);
    CHECK_REL(f.lip, q, 1e-6);
    d.sigma = sigma; d.stages = stages; d.samples = 20000; d.burn_in = 200; d.seed = 11 + stages;
    CHECK(nrx_net_langevin(&A, y, &f, x, mean, variance, &d, &info) == NRX_OK && info.samples == 20000);
    CHECK(info.gradients == (20000 + 200) * stages);
    /* mean: (A^T A + q sigma^2) m = A^T y; each mode of precision p has variance b^2/(1-a^2) under the scheme */
    CHECK(A.adjoint(A.user, y, b) == NRX_OK && nrx_net_blur_solve(&A, q * sigma * sigma, b, exact) == NRX_OK);
    for (fy = 0; fy < N; fy++) for (fx = 0; fx < N; fx++) {
        double t = 2 * NRX_PI * fx / N, re = 0.6 + 0.4 * cos(t), im = 0.1 * sin(t), p = (re * re + im * im) / (sigma * sigma) + q, a, c, vm;
        scalar_step(stages, info.step, p, &a, &c);
        vm = c * c / (1 - a * a);
        v += vm / AREA;
        biased += 1 / p / AREA;
        se_mean += vm * (1 + a) / (1 - a) / 20000 / AREA;
        se_var += 2 * vm * vm * (1 + a * a) / (1 - a * a) / 20000 / AREA / AREA;
    }
    for (i = 0; i < AREA; i++) { worst = fmax(worst, fabs((double)mean[i] - (double)exact[i])); got += (double)variance[i] / AREA; }
    CHECK(worst <= 5 * sqrt(se_mean));
    CHECK_NEAR(got, v, 5 * sqrt(se_var));
    if (stages == 1) CHECK(fabs(got - biased) > 5 * sqrt(se_var)); /* the known bias of ULA is seen: the check has power */
    d.step = 1e3;
    CHECK(nrx_net_langevin(&A, y, &f, x, NULL, NULL, &d, NULL) == NRX_E_ARG);
    f.convexity = 0;
    d.step = 0;
    CHECK(nrx_net_langevin(&A, y, &f, x, NULL, NULL, &d, NULL) == NRX_E_ARG);
    f.convexity = NRX_CONVEX;
    nrx_net_functional_free(&f);
    nrx_net_free(n);
    nrx_net_blur_free(&A);
    free(y);
}

/* ---- denoisers, training with validation ---- */

static void denoisers(void)
{
    enum { H = 6, W = 10, AREA = H * W };
    nrx_net_cnn_desc c = NRX_ZERO;
    nrx_net_icnn_desc ic = NRX_ZERO;
    nrx_net *n = NULL;
    nrx_functional f;
    void *u;
    float *x = noise(AREA, 1), out[AREA], g[AREA], in[2 * AREA], want[AREA];
    nrx_net_plan_desc pd = NRX_ZERO;
    nrx_net_plan *p;
    double v;
    size_t i;
    ic.layers = 2; ic.channels = 3; ic.activation = NRX_NET_SOFTPLUS;
    CHECK(nrx_net_icnn(&ic, &n) == NRX_OK && nrx_net_functional(n, H, W, NULL, &f) == NRX_OK);
    CHECK(nrx_net_denoiser_create(n, H, W, NRX_NET_PREDICT_STEP, 0, NULL, &u) == NRX_OK);
    CHECK(nrx_net_denoise(u, x, out) == NRX_OK && f.eval(f.user, x, &v, g) == NRX_OK);
    for (i = 0; i < AREA; i++) CHECK(out[i] == x[i] - g[i]);
    nrx_net_denoiser_free(u);
    CHECK(nrx_net_denoiser_create(n, H, W, NRX_NET_PREDICT_OUTPUT, 0, NULL, &u) == NRX_E_SHAPE);
    nrx_net_functional_free(&f);
    nrx_net_free(n);
    c.inputs = 2; c.channels = 4; c.scales = 2; c.blocks = 1;
    CHECK(nrx_net_drunet(&c, &n) == NRX_OK && nrx_net_denoiser_create(n, H, W, NRX_NET_PREDICT_OUTPUT, 0.2, NULL, &u) == NRX_OK);
    CHECK(nrx_net_denoise(u, x, out) == NRX_OK);
    pd.height = H; pd.width = W;
    memcpy(in, x, sizeof out);
    for (i = 0; i < AREA; i++) in[AREA + i] = 0.2f;
    CHECK(nrx_net_plan_create(n, &pd, &p) == NRX_OK && nrx_net_forward(p, in, want) == NRX_OK && memcmp(want, out, sizeof out) == 0);
    nrx_net_plan_free(p);
    nrx_net_denoiser_free(u);
    nrx_net_free(n);
    free(x);
}

static void images(float *to, size_t count, size_t size)
{
    size_t k, i;
    for (k = 0; k < count; k++) {
        double a = 6 * nrx_test_uniform(&rng), b = 6 * nrx_test_uniform(&rng), c = 0.3 + 0.4 * nrx_test_uniform(&rng);
        for (i = 0; i < size * size; i++)
            to[k * size * size + i] = (float)(c + (sin(a + 0.5 * (double)(i % size)) > 0 ? 0.2 : -0.2) * (cos(b + 0.4 * (double)(i / size)) > 0 ? 1 : 0.5));
    }
}

static double scripted(void *user, nrx_net *net) { int *k = (int *)user; (void)net; return ++*k == 3 ? 0.5 : 1 + *k; }
static int steps_seen;
static float at_best[4096];
static nrx_status remember(void *user, nrx_net *net, size_t step)
{
    (void)user;
    steps_seen = (int)step;
    if (step == 30) memcpy(at_best, nrx_net_weights(net), nrx_net_param_count(net) * sizeof(float));
    return NRX_OK;
}

static void validation(void)
{
    enum { S = 16, COUNT = 12 };
    static float train[COUNT * S * S], valid[COUNT * S * S];
    nrx_net_data vd = NRX_ZERO;
    nrx_net_train_desc d = NRX_ZERO;
    nrx_net_train_info info;
    nrx_net_crr_desc c = NRX_ZERO;
    nrx_net_cnn_desc cd = NRX_ZERO;
    nrx_net *n = NULL;
    int calls = 0;
    images(train, COUNT, S);
    images(valid, COUNT, S);
    c.filters = 4;
    CHECK(nrx_net_crr(&c, &n) == NRX_OK && nrx_net_param_count(n) < 4096);
    d.steps = 200; d.batch = 2; d.validate_every = 10; d.validate = scripted; d.validate_user = &calls; d.patience = 4; d.after_step = remember;
    CHECK(nrx_net_train_scores(n, train, COUNT, S, S, &d, &info) == NRX_OK);
    CHECK(info.early && info.best == 0.5 && info.best_step == 30 && steps_seen == 70 && info.steps == 70); /* best at 30, then four without a better one */
    CHECK(memcmp(at_best, nrx_net_weights(n), nrx_net_param_count(n) * sizeof(float)) == 0); /* and those weights come back */
    nrx_net_free(n);
    CHECK(nrx_net_crr(&c, &n) == NRX_OK);
    vd.images = valid; vd.count = COUNT; vd.height = vd.width = S;
    d.validate = NULL; d.after_step = NULL; d.patience = 0; d.validation = &vd; d.steps = 300; d.validate_every = 50;
    CHECK(nrx_net_train_scores(n, train, COUNT, S, S, &d, &info) == NRX_OK && info.best_step > 0 && !info.early && info.best < 0.0025); /* sigma^2 is what doing nothing leaves */
    d.validation = NULL;
    CHECK(nrx_net_train_scores(n, train, COUNT, S, S, &d, &info) == NRX_E_ARG);
    nrx_net_free(n);
    /* noise map: one network for all levels, each sample its own */
    memset(&d, 0, sizeof d);
    cd.inputs = 2; cd.channels = 4; cd.layers = 4; cd.activation = NRX_NET_LEAKY_RELU;
    CHECK(nrx_net_dncnn(&cd, &n) == NRX_OK);
    d.noise_map = 1; d.predict = NRX_NET_PREDICT_OUTPUT; d.sigma_min = 0.02; d.sigma_max = 0.2; d.steps = 300; d.height = d.width = S;
    d.data.images = train; d.data.count = COUNT; d.data.height = d.data.width = S; d.seed = 3;
    CHECK(nrx_net_train(n, &d, &info) == NRX_OK && info.ratio < 0.6);
    nrx_net_free(n);
}

/* ---- learned ISTA is ISTA at first ---- */

static void dictionary(const float *d, size_t channels, size_t h, size_t w, const double *z, double *x, int adjoint)
{
    size_t c, y, k;
    ptrdiff_t a, b;
    if (!adjoint) memset(x, 0, h * w * sizeof *x);
    for (c = 0; c < channels; c++) for (y = 0; y < h; y++) for (k = 0; k < w; k++) {
        double s = 0;
        for (a = -2; a <= 2; a++) for (b = -2; b <= 2; b++) {
            ptrdiff_t py = (ptrdiff_t)y + (adjoint ? -a : a), px = (ptrdiff_t)k + (adjoint ? -b : b);
            if (py < 0 || px < 0 || py >= (ptrdiff_t)h || px >= (ptrdiff_t)w) continue;
            s += (double)d[c * 25 + (size_t)(a + 2) * 5 + (size_t)(b + 2)] * z[(adjoint ? 0 : c * h * w) + (size_t)py * w + (size_t)px];
        }
        if (adjoint) x[c * h * w + y * w + k] = s;
        else x[y * w + k] += s;
    }
}

static void lista(void)
{
    enum { H = 9, W = 11, AREA = H * W, C = 3 };
    static const float kernel[9] = {0.1f, 0.1f, 0.0f, 0.1f, 0.4f, 0.1f, 0.1f, 0.0f, 0.1f};
    nrx_linop A;
    nrx_net_unrolled_desc u = NRX_ZERO;
    nrx_net *n = NULL;
    nrx_net_plan_desc pd = NRX_ZERO;
    nrx_net_plan *p;
    nrx_param list[40] = {{0}};
    float *y = noise(AREA, 1), out[AREA], t[AREA], r[AREA], *d = NULL;
    double z[C * AREA] = {0}, x[AREA], g[C * AREA], res[AREA], worst = 0, theta = 0.03, top = 0, scale;
    size_t i, k, count;
    CHECK(nrx_net_blur(H, W, kernel, 3, 3, NULL, &A) == NRX_OK);
    u.op = &A; u.height = u.data_height = H; u.width = u.data_width = W; u.iterations = 4; u.channels = C;
    CHECK(nrx_net_lista(&u, theta, &n) == NRX_OK);
    pd.height = H; pd.width = W;
    CHECK(nrx_net_plan_create(n, &pd, &p) == NRX_OK && nrx_net_forward(p, y, out) == NRX_OK);
    count = nrx_net_params(n, list, 40);
    for (i = 0; i < count; i++) if (list[i].rows == 1 && list[i].cols == 25 * C) d = (float *)list[i].value;
    CHECK(d != NULL);
    scale = 1 / A.norm;
    for (k = 0; d && k < 4; k++) {
        dictionary(d, C, H, W, z, x, 0);
        for (i = 0; i < AREA; i++) t[i] = (float)x[i];
        CHECK(A.apply(A.user, t, r) == NRX_OK);
        for (i = 0; i < AREA; i++) t[i] = (float)(scale * ((double)y[i] - (double)r[i]));
        CHECK(A.adjoint(A.user, t, r) == NRX_OK);
        for (i = 0; i < AREA; i++) res[i] = scale * (double)r[i];
        dictionary(d, C, H, W, res, g, 1);
        for (i = 0; i < C * AREA; i++) { double v = z[i] + g[i]; z[i] = v > theta ? v - theta : v < -theta ? v + theta : 0; }
    }
    if (d) dictionary(d, C, H, W, z, x, 0);
    for (i = 0; i < AREA; i++) { worst = fmax(worst, fabs(x[i] - (double)out[i])); top = fmax(top, fabs(x[i])); }
    CHECK(top > 0.01 && worst <= 1e-5 * top);
    nrx_net_plan_free(p);
    nrx_net_free(n);
    nrx_net_blur_free(&A);
    free(y);
}

static void noise_weight(void)
{
    enum { N = 6, AREA = 36 };
    static const float kernel[3] = {0.2f, 0.5f, 0.3f};
    nrx_linop A;
    nrx_net_crr_desc c = NRX_ZERO;
    nrx_net *n = NULL;
    nrx_functional f;
    float *x = noise(2 * AREA, 1), y[2 * AREA], g[AREA], e[2 * AREA];
    double w, want = 0, top = 0, v;
    size_t k, i;
    CHECK(nrx_net_blur(N, N, kernel, 3, 1, NULL, &A) == NRX_OK && nrx_net_crr(&c, &n) == NRX_OK && nrx_net_functional(n, N, N, NULL, &f) == NRX_OK);
    for (k = 0; k < 2; k++) {
        double s = 0, q = 0;
        CHECK(A.apply(A.user, x + k * AREA, y + k * AREA) == NRX_OK);
        for (i = 0; i < AREA; i++) { e[i] = (float)(0.1 * nrx_test_signed(&rng)); y[k * AREA + i] += e[i]; }
        CHECK(A.adjoint(A.user, e, g) == NRX_OK);
        for (i = 0; i < AREA; i++) s += (double)g[i] * (double)g[i];
        want += 0.5 * sqrt(s);
        CHECK(f.eval(f.user, x + k * AREA, &v, g) == NRX_OK);
        for (i = 0; i < AREA; i++) q += (double)g[i] * (double)g[i];
        top = fmax(top, sqrt(q));
    }
    CHECK(nrx_net_noise_weight(&A, 2, x, y, &f, &w) == NRX_OK);
    CHECK_REL(w, want / top, 1e-5);
    nrx_net_functional_free(&f);
    nrx_net_free(n);
    nrx_net_blur_free(&A);
    free(x);
}

/* ---- MAID: min |A1 x - b1|^2/2 over theta, x = argmin |A2 x + A3 theta - b2|^2/2 + |x|^2/200 ---- */

enum { ROWS = 200, M = 4 };
static float A1[ROWS * M], b1[ROWS];
static nrx_status tenth(void *user, const void *x, void *y)
{
    int i;
    (void)user;
    for (i = 0; i < M; i++) ((float *)y)[i] = 0.1f * ((const float *)x)[i];
    return NRX_OK;
}
static double upper(void *user, size_t pair, const float *x, float *gx)
{
    double v = 0;
    int i, k;
    (void)user; (void)pair;
    memset(gx, 0, M * sizeof *gx);
    for (i = 0; i < ROWS; i++) {
        double r = -(double)b1[i];
        for (k = 0; k < M; k++) r += (double)A1[i * M + k] * (double)x[k];
        v += 0.5 * r * r;
        for (k = 0; k < M; k++) gx[k] += (float)(r * (double)A1[i * M + k]);
    }
    return v;
}

/* Least squares by Gaussian elimination on the normal equations: the smallest upper loss any x can have. */
static double least(void)
{
    double g[M][M + 1], x[M], v = 0;
    int i, j, k;
    for (i = 0; i < M; i++) for (j = 0; j <= M; j++)
        for (g[i][j] = 0, k = 0; k < ROWS; k++) g[i][j] += (double)A1[k * M + i] * (j < M ? (double)A1[k * M + j] : (double)b1[k]);
    for (i = 0; i < M; i++) for (k = i + 1; k < M; k++) { double f = g[k][i] / g[i][i]; for (j = i; j <= M; j++) g[k][j] -= f * g[i][j]; }
    for (i = M; i-- > 0;) { x[i] = g[i][M]; for (j = i + 1; j < M; j++) x[i] -= g[i][j] * x[j]; x[i] /= g[i][i]; }
    for (k = 0; k < ROWS; k++) { double r = -(double)b1[k]; for (i = 0; i < M; i++) r += (double)A1[k * M + i] * x[i]; v += 0.5 * r * r; }
    return v;
}

static void maid(void)
{
    nrx_net_desc nd = NRX_ZERO;
    nrx_net_dense_desc e = NRX_ZERO;
    nrx_net_maid_desc d = NRX_ZERO;
    nrx_net_maid_info info;
    nrx_linop A = NRX_ZERO;
    nrx_net *n = NULL;
    nrx_param list[8] = {{0}};
    float zero[M] = {0}, *theta;
    double best, unit = 1 / sqrt((double)ROWS);
    size_t count, i, k;
    int a, t;
    for (i = 0; i < ROWS * M; i++) A1[i] = (float)(unit * nrx_test_signed(&rng));
    for (i = 0; i < ROWS; i++) b1[i] = (float)(3 * unit * nrx_test_signed(&rng));
    nd.channels = M;
    CHECK(nrx_net_create(&nd, &n) == NRX_OK);
    e.features = ROWS; e.no_bias = 1; e.name = "fixed_A2";
    a = nrx_net_dense(n, 0, &e);
    t = nrx_net_bias(n, nrx_net_scale(n, 0, 0), "theta");
    e.no_bias = 0; e.name = "fixed_A3";
    a = nrx_net_sqnorm(n, nrx_net_add(n, a, nrx_net_dense(n, t, &e), 1, 1));
    (void)nrx_net_scale(n, a, 0.5);
    count = nrx_net_params(n, list, 8);
    for (k = 0; k < count; k++) for (i = 0; i < list[k].rows * list[k].cols; i++)
        ((float *)list[k].value)[i] = strcmp(list[k].name, "theta.bias") == 0 ? 0.0f
            : strstr(list[k].name, "A3") ? (float)(10 * unit * nrx_test_signed(&rng)) : (float)(unit * nrx_test_signed(&rng));
    nrx_net_freeze(n, "fixed", 1);
    CHECK(nrx_net_params(n, list, 8) == 1 && strcmp(list[0].name, "theta.bias") == 0);
    theta = (float *)list[0].value;
    A.apply = A.adjoint = tenth; A.rows = A.cols = M; A.dtype = NRX_F32; A.norm = 0.1;
    d.A = &A; d.count = 1; d.data = zero; d.height = d.width = 1; d.loss = upper; d.loss_lip = 1; d.mu = 0.2; d.max_iter = 2000; d.tol = 1e-3;
    CHECK(nrx_net_maid(n, &d, &info) == NRX_OK);
    best = least();
    if (getenv("NRX_SHOW")) printf("maid: %lu steps, %lu lower solves, loss %.9g from %.9g, least %.9g, gradient %.2g, accuracy %.2g, stop %d\n", (unsigned long)info.iterations,
        (unsigned long)info.lower_solves, info.loss, info.first_loss, best, info.gradient, info.accuracy, info.stop);
    CHECK(info.loss - best <= 1e-3 * (info.first_loss - best));
    CHECK(theta[0] != 0);
    d.mu = 0; /* no certificate of strong convexity: refused in words */
    CHECK(nrx_net_maid(n, &d, &info) == NRX_E_ARG);
    nrx_net_free(n);
}

static nrx_status everything(const nrx_env *env)
{
    static const float k[1] = {1};
    nrx_linop A;
    nrx_net_cnn_desc c = NRX_ZERO;
    nrx_net *n;
    float x[64] = {0}, y[64];
    nrx_status s;
    c.env = *env; c.channels = 2; c.layers = 2;
    s = nrx_net_dncnn(&c, &n);
    if (s != NRX_OK) return s;
    s = nrx_net_tiled(n, 8, 8, 4, x, y, env);
    if (s == NRX_OK) s = nrx_net_slices(n, 1, 8, 8, x, y, env);
    if (s == NRX_OK) s = nrx_net_blur(8, 8, k, 1, 1, env, &A);
    if (s == NRX_OK) {
        nrx_net_desc nd = NRX_ZERO;
        nrx_net *q;
        nd.env = *env;
        s = nrx_net_create(&nd, &q);
        if (s == NRX_OK) {
            nrx_net_functional_desc fd = NRX_ZERO;
            nrx_net_langevin_desc ld = NRX_ZERO;
            nrx_functional f;
            (void)nrx_net_sqnorm(q, 0);
            fd.env = ld.env = *env;
            ld.samples = 2;
            s = nrx_net_functional(q, 8, 8, &fd, &f);
            if (s == NRX_OK) {
                s = nrx_net_langevin(&A, x, &f, y, NULL, NULL, &ld, NULL);
                nrx_net_functional_free(&f);
            }
            nrx_net_free(q);
        }
        nrx_net_blur_free(&A);
    }
    nrx_net_free(n);
    return s;
}

int main(void)
{
#if defined(NRX_TEST_ALLOC)
    nrx_env env = NRX_ZERO;
    nrx_test_heap heap;
    NRX_TEST_EACH_ALLOC(env, heap, everything(&env), (void)0);
#else
    nrx_env env = NRX_ZERO;
#define STAGE(call) do { double t_ = nrx_test_seconds(); call; if (getenv("NRX_SHOW")) printf("%s %.2f s\n", #call, nrx_test_seconds() - t_); } while (0)
    STAGE(tiles());
    slices();
    blur_case(15, 21, 3, 5);
    blur_case(7, 10, 4, 1);
    blur_case(16, 13, 5, 13);
    STAGE(gaussian(1));
    STAGE(gaussian(5));
    STAGE(denoisers());
    STAGE(validation());
    STAGE(lista());
    STAGE(noise_weight());
    STAGE(maid());
    CHECK(everything(&env) == NRX_OK);
#endif
    (void)everything; (void)tiles; (void)slices; (void)blur_case; (void)gaussian; (void)denoisers; (void)validation; (void)lista; (void)noise_weight; (void)maid;
    return nrx_test_end();
}
