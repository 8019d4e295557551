/* SPDX-License-Identifier: MIT-0 OR Unlicense
   Calls that the other cases leave out, each against a closed form or an evaluation written here: the operator layer, unit-norm and
   unit-spectral weights, a plan in memory of exactly the size that was asked for, an inner node as output, L1 and proximal losses, the prior behind a
   learned proximal map, the two-scalar refit, files on disk, the C array, weights by name under a prefix. */
#include "../nrx_test.h"
#ifndef NRX_TEST_LINKED
#define NRX_NETS_IMPLEMENTATION
#endif
#include "nrx_nets.h"
#include "../nrx_test.h"

static nrx_test_rng rng = {31337};

static nrx_net *start(size_t channels)
{
    nrx_net_desc d = NRX_ZERO;
    nrx_net *net = NULL;
    d.channels = channels;
    CHECK(nrx_net_create(&d, &net) == NRX_OK);
    return net;
}

/* ---- the operator layer ---- */

enum { ROWS = 6, COLS = 12 };
static float matrix[ROWS * COLS];

static nrx_status times(void *user, const void *x, void *y)
{
    int i, j;
    (void)user;
    for (i = 0; i < ROWS; i++) {
        float s = 0;
        for (j = 0; j < COLS; j++) s += matrix[i * COLS + j] * ((const float *)x)[j];
        ((float *)y)[i] = s;
    }
    return NRX_OK;
}
static nrx_status transposed(void *user, const void *y, void *x)
{
    int i, j;
    (void)user;
    for (j = 0; j < COLS; j++) {
        float s = 0;
        for (i = 0; i < ROWS; i++) s += matrix[i * COLS + j] * ((const float *)y)[i];
        ((float *)x)[j] = s;
    }
    return NRX_OK;
}

static void operators(void)
{
    nrx_linop A;
    nrx_net *net = start(2);
    nrx_net_plan_desc pd = NRX_ZERO;
    nrx_net_plan *plan = NULL;
    nrx_net_report proof;
    float x[2 * COLS], v[2 * COLS], y[2 * ROWS], dy[2 * ROWS], z[2 * COLS], g[2 * COLS], gy[2 * COLS];
    size_t i, shape[4];
    int a, b;
    memset(&A, 0, sizeof A);
    A.apply = times; A.adjoint = transposed; A.rows = ROWS; A.cols = COLS; A.norm = 4;
    for (i = 0; i < ROWS * COLS; i++) matrix[i] = (float)nrx_test_signed(&rng);
    for (i = 0; i < 2 * COLS; i++) { x[i] = (float)nrx_test_signed(&rng); v[i] = (float)nrx_test_signed(&rng); gy[i] = (float)nrx_test_signed(&rng); }
    a = nrx_net_operator(net, 0, &A, 0, 2, 3, 0); /* scale 0 = 1/4 */
    b = nrx_net_operator(net, a, &A, 1, 3, 4, -2);
    nrx_net_output(net, a);
    pd.height = 3; pd.width = 4; pd.mode = NRX_NET_PAIR;
    CHECK(a > 0 && b > a && nrx_net_plan_create(net, &pd, &plan) == NRX_OK);
    nrx_net_plan_output_shape(plan, shape);
    CHECK(shape[0] == 1 && shape[1] == 2 && shape[2] == 2 && shape[3] == 3);
    CHECK(nrx_net_forward(plan, x, y) == NRX_OK && nrx_net_tangent(plan, v, dy) == NRX_OK && nrx_net_backward(plan, gy, g, NULL) == NRX_OK);
    for (i = 0; i < 2; i++) {
        float want[COLS];
        size_t k;
        (void)times(NULL, x + i * COLS, want);
        for (k = 0; k < ROWS; k++) CHECK_NEAR(y[i * ROWS + k], want[k] / 4, 1e-6);
        (void)times(NULL, v + i * COLS, want);
        for (k = 0; k < ROWS; k++) CHECK_NEAR(dy[i * ROWS + k], want[k] / 4, 1e-6);
        (void)transposed(NULL, gy + i * ROWS, want);
        for (k = 0; k < COLS; k++) CHECK_NEAR(g[i * COLS + k], want[k] / 4, 1e-6);
    }
    nrx_net_plan_free(plan);
    nrx_net_output(net, b);
    CHECK(nrx_net_plan_create(net, &pd, &plan) == NRX_OK && nrx_net_forward(plan, x, z) == NRX_OK);
    for (i = 0; i < 2; i++) {
        float want[COLS];
        size_t k;
        (void)transposed(NULL, y + i * ROWS, want);
        for (k = 0; k < COLS; k++) CHECK_NEAR(z[i * COLS + k], -2 * want[k], 1e-5);
    }
    nrx_net_plan_free(plan);
    CHECK(nrx_net_certify(net, 3, 4, &proof) == NRX_OK);
    CHECK_NEAR(proof.lip, 2.0 * 4.0 * 1.0, 1e-9); /* |A|/4 times 2 |A|, |A| <= 4 */
    pd.width = 5;
    CHECK(nrx_net_plan_create(net, &pd, &plan) == NRX_E_SHAPE);
    nrx_net_free(net);
}

/* ---- weights on their constraints ---- */

/* Largest singular value by power iteration through the network's own passes. */
static double gain(nrx_net *net, size_t c, size_t h, size_t w)
{
    nrx_net_plan_desc pd = NRX_ZERO;
    nrx_net_plan *plan = NULL;
    float x[400], y[800];
    double s = 0, n = 0;
    size_t i, k, size = c * h * w;
    pd.height = h; pd.width = w; pd.mode = NRX_NET_GRADIENT;
    CHECK(size <= 400 && nrx_net_plan_create(net, &pd, &plan) == NRX_OK);
    for (i = 0; i < size; i++) x[i] = (float)nrx_test_signed(&rng);
    for (k = 0; plan && k < 600; k++) {
        CHECK(nrx_net_forward(plan, x, y) == NRX_OK && nrx_net_backward(plan, y, x, NULL) == NRX_OK);
        for (i = 0, n = 0; i < size; i++) n += (double)x[i] * (double)x[i];
        s = sqrt(sqrt(n));
        for (i = 0; i < size; i++) x[i] = (float)((double)x[i] / sqrt(n));
    }
    nrx_net_plan_free(plan);
    return s;
}

static void constraints(void)
{
    static const int kinds[3] = {NRX_NET_W_NONNEGATIVE, NRX_NET_W_UNIT_NORM, NRX_NET_W_UNIT_SPECTRAL};
    int k, conv;
    for (k = 0; k < 3; k++)
        for (conv = 0; conv < 2; conv++) {
            nrx_net *net = start(3);
            nrx_net_conv_desc c = NRX_ZERO;
            nrx_net_dense_desc d = NRX_ZERO;
            nrx_param list[2];
            float *w;
            size_t i, r, n;
            double s, most = 0;
            c.channels = 5; c.kernel = 3; c.weights = kinds[k]; c.no_bias = 1; c.padding = NRX_NET_PAD_CIRCULAR;
            d.features = 7; d.weights = kinds[k]; d.no_bias = 1;
            CHECK((conv ? nrx_net_conv2d(net, 0, &c) : nrx_net_dense(net, 0, &d)) > 0 && nrx_net_params(net, list, 2) == 1);
            w = (float *)list[0].value; n = list[0].rows * list[0].cols;
            for (i = 0; i < n; i++) w[i] = (float)(3 * nrx_test_signed(&rng));
            nrx_net_project(net);
            if (k == 0) for (i = 0; i < n; i++) CHECK(w[i] >= 0);
            if (k == 1) for (r = 0; r < list[0].rows; r++) {
                for (i = 0, s = 0; i < list[0].cols; i++) s += (double)w[r * list[0].cols + i] * (double)w[r * list[0].cols + i];
                CHECK(s <= 1 && s > 1 - 1e-6);
            }
            if (k == 2) {
                most = gain(net, 3, conv ? 7 : 1, conv ? 6 : 1);
                CHECK(most <= 1 + 1e-5);
                CHECK(most > (conv ? 0.25 : 0.9)); /* a convolution is bounded through its matrix, at most three times too much */
            }
            for (i = 0; i < n; i++) w[i] *= 0.1f;
            s = (double)w[0];
            nrx_net_project(net); /* inside: nothing happens */
            CHECK((double)w[0] == s);
            nrx_net_free(net);
        }
}

/* ---- plans in the caller's memory ---- */

static void *nothing(void *user, void *p, size_t old_size, size_t new_size)
{
    (void)user; (void)p; (void)old_size; (void)new_size;
    return NULL;
}

static void exact_memory(void)
{
    nrx_net *net = NULL;
    nrx_net_cnn_desc u = NRX_ZERO;
    nrx_net_plan_desc pd = NRX_ZERO;
    nrx_net_plan *plan = NULL;
    float x[64], y[64], z[64];
    unsigned char *room;
    size_t i, bytes;
    u.channels = 3; u.scales = 2; u.layers = 1;
    CHECK(nrx_net_unet(&u, &net) == NRX_OK);
    for (i = 0; i < 64; i++) x[i] = (float)nrx_test_signed(&rng);
    pd.height = pd.width = 8;
    CHECK(nrx_net_plan_create(net, &pd, &plan) == NRX_OK && nrx_net_forward(plan, x, y) == NRX_OK);
    nrx_net_plan_free(plan);
    bytes = nrx_net_plan_size(net, &pd);
    room = (unsigned char *)malloc(bytes + 64 + 16);
    CHECK(bytes > 0 && room);
    if (!room) return;
    memset(room, 0xa5, bytes + 80);
    pd.memory = room + (64 - (size_t)((uintptr_t)room % 64)) % 64;
    pd.memory_size = bytes;
    CHECK(nrx_net_plan_create(net, &pd, &plan) == NRX_OK && nrx_net_forward(plan, x, z) == NRX_OK);
    CHECK(memcmp(y, z, sizeof y) == 0 && ((unsigned char *)pd.memory)[bytes] == 0xa5);
    nrx_net_plan_free(plan);
    pd.memory_size = bytes - 1;
    CHECK(nrx_net_plan_create(net, &pd, &plan) != NRX_OK);
    pd.memory = NULL; pd.memory_size = 0;
    pd.env.alloc = nothing;
    CHECK(nrx_net_plan_create(net, &pd, &plan) == NRX_E_NOMEM);
    pd.height = 7;
    CHECK(nrx_net_plan_size(net, &pd) == 0);
    free(room);
    nrx_net_free(net);
}

/* A whole CRR or WCRR denoising at 128 x 128 in one pool of 512 KiB: the functional's memory, data, image and gradient; nothing is allocated. */
static void small_machine(void)
{
    enum { SIDE = 128, PIXELS = SIDE * SIDE, POOL = 512 * 1024 };
    static float pool_floats[POOL / sizeof(float) + 16];
    float *pool = pool_floats + (64 - (uintptr_t)pool_floats % 64) % 64 / sizeof(float), *y = pool, *x = y + PIXELS, *g = x + PIXELS;
    int weak, k;
    for (weak = 0; weak < 2; weak++) {
        nrx_net *net = NULL;
        nrx_net_functional_desc d = NRX_ZERO;
        nrx_net_report proof;
        nrx_functional f;
        double first = 0, norm = 0, value;
        size_t i;
        CHECK((weak ? nrx_net_wcrr(NULL, &net) : nrx_net_crr(NULL, &net)) == NRX_OK);
        d.memory = g + PIXELS;
        d.memory_size = POOL - 3 * PIXELS * sizeof(float);
        CHECK(nrx_net_certify(net, SIDE, SIDE, &proof) == NRX_OK && (proof.rho > 0) == weak);
        d.weight = weak ? 0.5 / proof.rho : 1; /* the energy is strongly convex */
        d.env.alloc = nothing;
        CHECK(nrx_net_functional(net, SIDE, SIDE, &d, &f) == NRX_OK && f.rho < 1);
        for (i = 0; i < PIXELS; i++) x[i] = y[i] = (i % SIDE < 50 ? 0.2f : 0.7f) + (float)(0.1 * nrx_test_signed(&rng));
        for (k = 0; k < 60; k++) {
            CHECK(f.eval(f.user, x, &value, g) == NRX_OK);
            for (i = 0, norm = 0; i < PIXELS; i++) {
                double e = (double)g[i] + (double)x[i] - (double)y[i];
                norm += e * e;
                x[i] -= (float)(e / (1 + f.lip));
            }
            if (k == 0) first = norm;
        }
        CHECK(first > 0 && norm < 1e-6 * first);
        nrx_net_functional_free(&f);
        nrx_net_free(net);
    }
}

/* ---- losses with a known answer ---- */

static nrx_status two_values(void *user, nrx_rng *r, size_t n, float *clean)
{
    size_t i;
    (void)user;
    for (i = 0; i < n; i++) clean[i] = nrx_rng_uniform(r) < 0.7 ? 1.0f : 0.0f; /* mean 0.7, median 1, most probable 1 */
    return NRX_OK;
}

/* A network whose output is a constant b (weight zero, frozen) learns the mean under L2, the median under L1, the mode by proximal matching. */
static void losses(void)
{
    static const int kind[3] = {NRX_NET_LOSS_L2, NRX_NET_LOSS_L1, NRX_NET_LOSS_PROXIMAL};
    static const double answer[3] = {0.7, 1.0, 1.0};
    int k;
    for (k = 0; k < 3; k++) {
        nrx_net *net = start(1);
        nrx_net_dense_desc d = NRX_ZERO;
        nrx_net_train_desc t = NRX_ZERO;
        float *w;
        d.features = 1; d.name = "last";
        CHECK(nrx_net_dense(net, 0, &d) > 0);
        w = nrx_net_weights(net);
        w[0] = 0; w[1] = 0.6f;
        nrx_net_freeze(net, "last.weight", 1);
        t.loss = kind[k]; t.predict = NRX_NET_PREDICT_OUTPUT; t.data.draw = two_values; t.height = t.width = 1; t.batch = 32; t.steps = 1500; t.rate = 5e-3; t.gamma = 0.3; t.seed = 3;
        CHECK(nrx_net_train(net, &t, NULL) == NRX_OK);
        CHECK(w[0] == 0);
        CHECK_NEAR(w[1], answer[k], 0.03);
        nrx_net_free(net);
    }
}

/* psi = s |x|^2: f = 2 s x is the proximal map of R(x) = (1/(4s) - 1/2)|x|^2. */
static void prior(void)
{
    nrx_net *net = start(3);
    float x[2 * 3];
    double r[2], want, s = 0.2;
    size_t i, k;
    CHECK(nrx_net_scale(net, nrx_net_sqnorm(net, 0), s) > 0);
    for (i = 0; i < 6; i++) x[i] = (float)nrx_test_signed(&rng);
    CHECK(nrx_net_lpn_prior(net, 2, x, 1e-6, 20000, r) == NRX_OK);
    for (k = 0; k < 2; k++) {
        for (i = 0, want = 0; i < 3; i++) want += (1 / (4 * s) - 0.5) * (double)x[3 * k + i] * (double)x[3 * k + i];
        CHECK_NEAR(r[k], want, 1e-4);
    }
    nrx_net_free(net);
}

/* Denoising with R = |x|^2/2: x = y/(1+w), so the best weight is <y,y>/<x,y> - 1. */
static nrx_status same(void *user, const void *x, void *y) { memcpy(y, x, *(size_t *)user * sizeof(float)); return NRX_OK; }

static void refit(void)
{
    enum { N = 16, COUNT = 4 };
    nrx_net *net = start(1);
    nrx_linop A;
    nrx_net_refit_desc d = NRX_ZERO;
    nrx_net_refit_info info;
    float truth[COUNT * N], data[COUNT * N];
    size_t i, n = N;
    double yy = 0, xy = 0, xx = 0, best, weight = 0, scale = 0;
    memset(&A, 0, sizeof A);
    A.apply = A.adjoint = same; A.user = &n; A.rows = A.cols = N; A.norm = 1;
    CHECK(nrx_net_scale(net, nrx_net_sqnorm(net, 0), 0.5) > 0);
    for (i = 0; i < COUNT * N; i++) {
        truth[i] = (float)nrx_test_signed(&rng); data[i] = truth[i] + (float)(0.8 * nrx_test_signed(&rng));
        yy += (double)data[i] * (double)data[i]; xy += (double)truth[i] * (double)data[i]; xx += (double)truth[i] * (double)truth[i];
    }
    best = (xx - xy * xy / yy) / (COUNT * N);
    d.A = &A; d.count = COUNT; d.data = data; d.truth = truth; d.height = 4; d.width = 4;
    CHECK(nrx_net_refit(net, &d, &info) == NRX_OK && !info.at_edge);
    CHECK_NEAR(log(info.weight / (yy / xy - 1)) / log(2.0), 0, 0.1);
    CHECK(info.loss >= best * (1 - 1e-4) && info.loss <= best * 1.01);
    nrx_net_scaling(net, &weight, &scale);
    CHECK(weight == info.weight && scale == info.scale);
    nrx_net_free(net);
}

/* ---- files ---- */

#ifndef NRX_NO_STDIO
static void files(void)
{
    static const char path[] = "nets_called.safetensors", array[] = "nets_called.h";
    nrx_net *net = NULL, *back = NULL, *other = NULL;
    nrx_net_icnn_desc d = NRX_ZERO;
    nrx_net_checkpoint *c = NULL;
    nrx_test_log_state log = NRX_ZERO;
    unsigned char *bytes = NULL, *read = NULL;
    float *state, x[36], a, b;
    nrx_net_plan_desc pd = NRX_ZERO;
    nrx_net_plan *plan = NULL;
    size_t i, size = 0, step = 0, n;
    char text[4000];
    FILE *f;
    int v, which;
    d.layers = 2; d.channels = 3; d.kernel = 3; d.seed = 4; d.quadratic = 0.5;
    NRX_TEST_LOG_ENV(d.env, log);
    CHECK(nrx_net_icnn(&d, &net) == NRX_OK);
    nrx_net_set_scaling(net, 0.25, 2);
    n = nrx_net_param_count(net);
    state = (float *)calloc(4 * n, sizeof *state);
    if (!state) return;
    for (i = 0; i < 2 * n; i++) state[i] = (float)nrx_test_signed(&rng);
    CHECK(nrx_net_save_state(net, state, 77, path) == NRX_OK && nrx_net_checkpoint_open(path, NULL, &c) == NRX_OK);
    CHECK(nrx_net_load_state(net, c, state + 2 * n, &step) == NRX_OK && step == 77 && memcmp(state, state + 2 * n, 2 * n * sizeof *state) == 0);
    CHECK(strcmp(nrx_net_checkpoint_meta(c, "arch"), "icnn") == 0 && nrx_net_checkpoint_meta(c, "nobody") == NULL);
    CHECK(nrx_net_checkpoint_count(c) > 2 && nrx_net_checkpoint_at(c, 0) && nrx_net_checkpoint_at(c, 1000) == NULL);
    CHECK(nrx_net_checkpoint_find(c, nrx_net_checkpoint_at(c, 1)->name) == nrx_net_checkpoint_at(c, 1));
    f = tmpfile();
    if (f) {
        nrx_net_checkpoint_print(c, f);
        rewind(f);
        text[fread(text, 1, sizeof text - 1, f)] = 0;
        CHECK(strstr(text, nrx_net_checkpoint_at(c, 0)->name) && strstr(text, "numbers"));
        fclose(f);
    }
    nrx_net_checkpoint_free(c);
    CHECK(nrx_net_save(net, path) == NRX_OK && nrx_net_load(path, NULL, &back) == NRX_OK);
    CHECK(nrx_net_param_count(back) == n && memcmp(nrx_net_weights(back), nrx_net_weights(net), n * sizeof *state) == 0);
    /* the C array holds the same bytes */
    CHECK(nrx_net_write_c(net, array, "weights") == NRX_OK && nrx_net_save_bytes(net, NULL, 0, &bytes, &size) == NRX_OK);
    f = fopen(array, "r");
    read = (unsigned char *)malloc(size);
    CHECK(f && read);
    if (f && read) {
        while ((v = getc(f)) != EOF && v != '{') {}
        for (i = 0; i < size && fscanf(f, "%d,", &v) == 1; i++) read[i] = (unsigned char)v;
        CHECK(i == size && fscanf(f, "%d,", &v) != 1 && memcmp(read, bytes, size) == 0);
    }
    if (f) fclose(f);
    CHECK(nrx_net_checkpoint_read(read, size, NULL, &c) == NRX_OK);
    /* weights by name, in a network with other ones, and under a prefix that is not there */
    d.seed = 5;
    CHECK(nrx_net_icnn(&d, &other) == NRX_OK && nrx_net_load_weights(other, c, "net.") != NRX_OK && strstr(log.last, "net."));
    CHECK(nrx_net_load_weights(other, c, NULL) == NRX_OK);
    pd.height = pd.width = 6;
    for (i = 0; i < 36; i++) x[i] = (float)nrx_test_signed(&rng);
    for (which = 0, a = 0; which < 3; which++) {
        CHECK(nrx_net_plan_create(which == 0 ? net : which == 1 ? back : other, &pd, &plan) == NRX_OK && nrx_net_forward(plan, x, &b) == NRX_OK);
        if (which) CHECK(a == b);
        a = b;
        nrx_net_plan_free(plan);
    }
    nrx_net_free(other);
    CHECK(nrx_net_load("nowhere/nothing.pt", NULL, &other) == NRX_E_IO && other == NULL);
    nrx_net_checkpoint_free(c);
    nrx_net_free_bytes(net, bytes);
    nrx_net_free(net); nrx_net_free(back);
    free(read); free(state);
    remove(path); remove(array);
}
#endif

int main(void)
{
    operators();
    constraints();
    exact_memory();
    small_machine();
    losses();
    prior();
    refit();
#ifndef NRX_NO_STDIO
    files();
#endif
    CHECK(strcmp(nrx_net_version(), NRX_NETS_VERSION) == 0);
    return nrx_test_end();
}
