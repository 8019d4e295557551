/* SPDX-License-Identifier: MIT-0 OR Unlicense
   Certificates are never contradicted: random segments, power iterations and two-point slopes against what was proven; spoilt weights are named.
   Then functionals in the caller's memory, training that resumes to the bit, hypergradients against differences, reconstruction. */
#include "../nrx_test.h"
#define NRX_NETS_IMPLEMENTATION
#include "nrx_nets.h"

enum { H = 11, W = 13, AREA = H * W };
static nrx_test_rng rng = {777};

static void noise(float *x, size_t n, double scale)
{
    size_t i;
    for (i = 0; i < n; i++) x[i] = (float)(scale * nrx_test_signed(&rng));
}

/* R + rho/2 |x|^2 on segments, monotone gradients, slopes below the Lipschitz bound. */
static void contradict(nrx_net *net, const char *name, double scale, int trials)
{
    nrx_functional f;
    nrx_net_report r;
    float x[AREA], y[AREA], z[AREA], gx[AREA], gy[AREA];
    double fx, fy, fz;
    long before = nrx_test_failures;
    int t;
    size_t i;
    CHECK(nrx_net_certify(net, H, W, &r) == NRX_OK);
    CHECK(nrx_net_functional(net, H, W, NULL, &f) == NRX_OK);
    for (t = 0; t < trials; t++) {
        double a = nrx_test_uniform(&rng), d2 = 0, inner = 0, g2 = 0, tol;
        noise(x, AREA, scale);
        noise(y, AREA, t % 2 ? scale : 0.05 * scale);
        for (i = 0; i < AREA; i++) { if (t % 2 == 0) y[i] += x[i]; z[i] = (float)(a * (double)x[i] + (1 - a) * (double)y[i]); }
        CHECK(f.eval(f.user, x, &fx, gx) == NRX_OK && f.eval(f.user, y, &fy, gy) == NRX_OK && f.eval(f.user, z, &fz, NULL) == NRX_OK);
        for (i = 0; i < AREA; i++) {
            double d = (double)x[i] - (double)y[i], g = (double)gx[i] - (double)gy[i];
            d2 += d * d; inner += d * g; g2 += g * g;
        }
        tol = 2e-6 * (1 + fabs(fx) + fabs(fy));
        if (r.convexity) {
            CHECK(fz <= a * fx + (1 - a) * fy + 0.5 * (r.rho - r.mu) * a * (1 - a) * d2 + tol);
            CHECK(inner >= (r.mu - r.rho) * d2 - 1e-5 * sqrt(d2 * g2) - 1e-7);
        }
        if (r.lip_gradient < 1e300) CHECK(g2 <= r.lip_gradient * r.lip_gradient * d2 * (1 + 1e-5) + 1e-12);
        if (r.lip < 1e300) CHECK(fabs(fx - fy) <= r.lip * sqrt(d2) * (1 + 1e-5) + tol);
    }
    if (nrx_test_failures != before) printf("in %s: %s\n", name, r.text);
    nrx_net_functional_free(&f);
}

static void convexity(void)
{
    nrx_net *net;
    nrx_net_icnn_desc d = NRX_ZERO;
    nrx_net_crr_desc c = NRX_ZERO;
    nrx_net_report r;
    nrx_param list[20] = {{0}};
    size_t n, i;
    int pad;
    for (pad = 0; pad < 4; pad++) {
        c.filters = 6; c.seed = (uint64_t)pad; c.padding = pad;
        CHECK(nrx_net_crr(&c, &net) == NRX_OK);
        contradict(net, "crr", 0.2, 300);
        CHECK(nrx_net_certify(net, H, W, &r) == NRX_OK && r.convexity == NRX_CONVEX && r.rho == 0 && r.lip_gradient > 0 && r.lip_gradient < 1e3);
        nrx_net_weights(net)[7] = (float)HUGE_VAL;
        CHECK(nrx_net_certify(net, H, W, &r) == NRX_E_NUMERIC && strcmp(r.layer, "filters.weight") == 0 && r.index == 7);
        nrx_net_free(net);
        CHECK(nrx_net_wcrr(&c, &net) == NRX_OK);
        contradict(net, "wcrr", 0.2, 300);
        CHECK(nrx_net_certify(net, H, W, &r) == NRX_OK && r.convexity == NRX_WEAKLY_CONVEX && r.rho > 0);
        nrx_net_free(net);
    }
    d.layers = 3; d.channels = 4; d.kernel = 3;
    CHECK(nrx_net_icnn(&d, &net) == NRX_OK);
    contradict(net, "icnn", 1, 300);
    n = nrx_net_params(net, list, 20);
    for (i = 0; i < n && strcmp(list[i].name, "wz2.weight") != 0; i++) {}
    CHECK(i < n);
    ((float *)list[i].value)[29] = -1e-7f; /* hidden among 144 */
    CHECK(nrx_net_certify(net, H, W, &r) == NRX_OK && r.convexity == 0 && strcmp(r.layer, "wz2") == 0 && r.index == 29 && r.value < 0 && r.value > -2e-7);
    nrx_net_project(net);
    CHECK(nrx_net_certify(net, H, W, &r) == NRX_OK && r.convexity == NRX_CONVEX);
    for (i = 0; i < n; i++) /* the check above has power: random signs do break convexity */
        if (strstr(list[i].name, "wz") || strstr(list[i].name, "final")) noise((float *)list[i].value, list[i].rows * list[i].cols, 1);
    {
        nrx_functional f;
        float x[AREA], y[AREA], z[AREA];
        double fx, fy, fz;
        int t, broken = 0;
        CHECK(nrx_net_functional(net, H, W, NULL, &f) == NRX_OK && f.convexity == 0);
        for (t = 0; t < 300; t++) {
            noise(x, AREA, 1); noise(y, AREA, 1);
            for (i = 0; i < AREA; i++) z[i] = 0.5f * (x[i] + y[i]);
            (void)f.eval(f.user, x, &fx, NULL); (void)f.eval(f.user, y, &fy, NULL); (void)f.eval(f.user, z, &fz, NULL);
            broken += fz > 0.5 * (fx + fy) + 1e-6 * (fabs(fx) + fabs(fy)) + 1e-7;
        }
        CHECK(broken > 0);
        nrx_net_functional_free(&f);
    }
    nrx_net_free(net);
    d.activation = NRX_NET_SOFTPLUS; d.quadratic = 0.01;
    CHECK(nrx_net_icnn(&d, &net) == NRX_OK);
    contradict(net, "strongly convex icnn", 1, 300);
    CHECK(nrx_net_certify(net, H, W, &r) == NRX_OK && r.convexity == NRX_CONVEX);
    CHECK_REL(r.mu, 0.02, 1e-5);
    nrx_net_free(net);
    CHECK(nrx_net_iwcnn(&d, &net) == NRX_OK);
    contradict(net, "iwcnn", 1, 300);
    nrx_net_free(net);
    d.quadratic = 0;
    CHECK(nrx_net_idcnn(&d, &net) == NRX_OK);
    contradict(net, "idcnn", 1, 300);
    nrx_net_free(net);
}

/* ---- memory, training, bilevel, reconstruction ---- */

static void memory(void)
{
    nrx_net *net;
    nrx_net_functional_desc d = NRX_ZERO;
    nrx_functional f, g;
    size_t bytes, i;
    unsigned char *raw;
    float *x = (float *)malloc(128 * 128 * 4), *a = (float *)malloc(128 * 128 * 4), *b = (float *)malloc(128 * 128 * 4);
    double v, w;
    noise(x, 128 * 128, 1);
    CHECK(nrx_net_wcrr(NULL, &net) == NRX_OK);
    bytes = nrx_net_functional_size(net, 128, 128);
    CHECK(bytes > 0 && bytes + 3 * 128 * 128 * 4 < 512 * 1024); /* with image, gradient and momentum of a reconstruction */
    raw = (unsigned char *)malloc(bytes + 64);
    d.memory = raw + (64 - ((uintptr_t)raw & 63)) % 64;
    d.memory_size = bytes;
    CHECK(nrx_net_functional(net, 128, 128, &d, &f) == NRX_OK && nrx_net_functional(net, 128, 128, NULL, &g) == NRX_OK);
    CHECK(f.eval(f.user, x, &v, a) == NRX_OK && g.eval(g.user, x, &w, b) == NRX_OK && v == w && memcmp(a, b, 128 * 128 * 4) == 0);
    CHECK(nrx_net_functional_rescale(&f, 3, 2) == NRX_OK); /* 3/4 R(2x), gradient 3/2 R'(2x) */
    for (i = 0; i < 128 * 128; i++) x[i] *= 0.5f;
    CHECK(f.eval(f.user, x, &v, a) == NRX_OK);
    CHECK_REL(v, 0.75 * w, 1e-12);
    CHECK_NEAR(a[4000], 1.5 * (double)b[4000], 1e-6);
    CHECK_REL(f.lip, 3 * g.lip, 1e-12);
    x[17] = (float)HUGE_VAL;
    CHECK_ALWAYS(f.eval(f.user, x, &v, a) == NRX_E_NUMERIC);
    nrx_net_functional_free(&f);
    nrx_net_functional_free(&g);
    d.memory_size = bytes - 1;
    CHECK(nrx_net_functional(net, 128, 128, &d, &g) == NRX_E_ARG);
    nrx_net_free(net);
    free(raw); free(x); free(a); free(b);
}

static void training(void)
{
    nrx_net *net[2];
    nrx_net_train_desc d = NRX_ZERO;
    nrx_net_train_info info;
    nrx_net_crr_desc c = NRX_ZERO;
    float images[4 * 16 * 16], *state;
    int k;
    for (k = 0; k < 4 * 16 * 16; k++) images[k] = (k / 5 + k / 16) % 3 ? 0.2f : 0.8f;
    c.filters = 4;
    for (k = 0; k < 2; k++) CHECK(nrx_net_wcrr(&c, &net[k]) == NRX_OK);
    d.steps = 40; d.batch = 2; d.seed = 5;
    CHECK(nrx_net_train_scores(net[0], images, 4, 16, 16, &d, &info) == NRX_OK && info.steps == 40 && info.ratio < 1);
    state = (float *)calloc(2 * nrx_net_param_count(net[1]), sizeof *state);
    d.state = state;
    { /* stop after 25 of 40 steps, save, load elsewhere, go on: the same bits */
        nrx_net_train_desc part = d;
        unsigned char *bytes;
        size_t size, step;
        nrx_net_checkpoint *cp;
        nrx_net *other;
        part.last_rate = 1;
        d.last_rate = 1;
        nrx_net_free(net[0]);
        CHECK(nrx_net_wcrr(&c, &net[0]) == NRX_OK);
        part.state = NULL;
        CHECK(nrx_net_train_scores(net[0], images, 4, 16, 16, &part, &info) == NRX_OK);
        d.steps = 25;
        CHECK(nrx_net_train_scores(net[1], images, 4, 16, 16, &d, &info) == NRX_OK);
        CHECK(nrx_net_save_bytes(net[1], state, 25, &bytes, &size) == NRX_OK);
        CHECK(nrx_net_checkpoint_read(bytes, size, NULL, &cp) == NRX_OK && nrx_net_load_checkpoint(cp, NULL, &other) == NRX_OK);
        memset(state, 0, 2 * nrx_net_param_count(other) * sizeof *state);
        CHECK(nrx_net_load_state(other, cp, state, &step) == NRX_OK && step == 25);
        d.first_step = step;
        d.steps = 40;
        CHECK(nrx_net_train_scores(other, images, 4, 16, 16, &d, &info) == NRX_OK);
        CHECK(memcmp(nrx_net_weights(other), nrx_net_weights(net[0]), nrx_net_param_count(other) * sizeof(float)) == 0);
        nrx_net_checkpoint_free(cp);
        nrx_net_free_bytes(net[1], bytes);
        nrx_net_free(other);
    }
    images[9] = (float)HUGE_VAL;
    CHECK_ALWAYS(nrx_net_train_scores(net[0], images, 4, 16, 16, &d, &info) == NRX_E_NUMERIC);
    for (k = 0; k < 2; k++) nrx_net_free(net[k]);
    free(state);
}

static float matrix[20 * AREA];
static nrx_status apply(void *user, const void *x, void *y)
{
    size_t i, j;
    (void)user;
    for (i = 0; i < AREA; i++) { double s = 2 * (double)((const float *)x)[i]; for (j = 1; j < 4; j++) s += (double)matrix[j] * (double)((const float *)x)[(i + j) % AREA]; ((float *)y)[i] = (float)s; }
    return NRX_OK;
}
static nrx_status adjoint(void *user, const void *y, void *x)
{
    size_t i, j;
    (void)user;
    for (i = 0; i < AREA; i++) { double s = 2 * (double)((const float *)y)[i]; for (j = 1; j < 4; j++) s += (double)matrix[j] * (double)((const float *)y)[(i + AREA - j) % AREA]; ((float *)x)[i] = (float)s; }
    return NRX_OK;
}

static double watch_best(void *user, const float *x) { (void)user; return -fabs((double)x[0]); }

/* Upper-level loss |xhat(theta) - target|^2/2 by differences against the implicit function theorem. */
static void bilevel(void)
{
    nrx_net *net;
    nrx_net_icnn_desc d = NRX_ZERO;
    nrx_linop A = NRX_ZERO;
    nrx_net_recon_desc rd = NRX_ZERO;
    nrx_net_recon_info ri;
    nrx_net_hyper_desc hd = NRX_ZERO;
    nrx_net_hyper_info hi;
    nrx_functional f;
    float y[AREA], target[AREA], x[AREA], gx[AREA], best[AREA], *theta, *theta0, *dir, *grad, jf = 0;
    double e[4], slope, want;
    size_t count, i;
    int k;
    noise(matrix, 4, 0.3);
    A.apply = apply; A.adjoint = adjoint; A.rows = A.cols = AREA; A.dtype = NRX_F32; A.norm = 3;
    noise(y, AREA, 1); noise(target, AREA, 0.5);
    d.layers = 2; d.channels = 3; d.kernel = 3; d.activation = NRX_NET_SOFTPLUS; d.quadratic = 0.5; d.sum = 1; d.init = 0.3;
    CHECK(nrx_net_icnn(&d, &net) == NRX_OK);
    count = nrx_net_param_count(net);
    theta = nrx_net_weights(net);
    theta0 = (float *)malloc(count * 4); dir = (float *)malloc(count * 4); grad = (float *)calloc(count, 4);
    memcpy(theta0, theta, count * 4);
    noise(dir, count, 1);
    rd.tol = 1e-9; rd.max_iter = 2000;
    for (k = 0; k < 5; k++) {
        static const double step[5] = {1e-2, -1e-2, 5e-3, -5e-3, 0};
        for (i = 0; i < count; i++) theta[i] = (float)((double)theta0[i] + step[k] * (double)dir[i]);
        CHECK(nrx_net_functional(net, H, W, NULL, &f) == NRX_OK);
        memset(x, 0, sizeof x);
        if (k == 4) { rd.measure = watch_best; rd.best = best; }
        CHECK(nrx_net_reconstruct(&A, y, &f, x, &rd, &ri) == NRX_OK);
        if (k == 4) { CHECK(ri.best >= ri.final && ri.error_bound >= 0 && ri.error_bound < 1e-3); CHECK(ri.best == watch_best(NULL, best)); }
        nrx_net_functional_free(&f);
        for (i = 0, want = 0; i < AREA; i++) { gx[i] = x[i] - target[i]; want += 0.5 * (double)gx[i] * (double)gx[i]; }
        if (k < 4) e[k] = want;
    }
    slope = (8 * (e[2] - e[3]) - (e[0] - e[1])) / (6 * 1e-2);
    hd.height = H; hd.width = W; hd.tol = 1e-7;
    CHECK(nrx_net_hypergradient(net, &A, x, gx, grad, &hd, &hi) == NRX_OK && hi.residual <= 1e-6 && hi.curvature > 0);
    for (i = 0, want = 0; i < count; i++) want += (double)grad[i] * (double)dir[i];
    CHECK_REL(slope, want, 1e-4);
    {
        float *jfb = (float *)calloc(count, 4);
        hd.jacobian_free = 1;
        CHECK(nrx_net_hypergradient(net, &A, x, gx, jfb, &hd, &hi) == NRX_OK);
        for (i = 0; i < count; i++) jf += jfb[i] * grad[i];
        CHECK(jf > 0); /* positive cosine */
        free(jfb);
    }
    free(theta0); free(dir); free(grad);
    nrx_net_free(net);
}

static nrx_status smoother(void *user, const float *in, float *out) /* periodic, symmetric, eigenvalues in [1/5, 1] */
{
    size_t i;
    (void)user;
    for (i = 0; i < AREA; i++) out[i] = 0.6f * in[i] + 0.2f * (in[(i + 1) % AREA] + in[(i + AREA - 1) % AREA]);
    return NRX_OK;
}
static nrx_status filtered(void *user, const float *in, float *out) { static float work[4 * AREA]; return nrx_net_linear_denoise(smoother, user, AREA, 0.5, in, out, work); }
static nrx_status identity(void *user, const void *x, void *y) { (void)user; memcpy(y, x, AREA * 4); return NRX_OK; }

/* Plug-and-play with a linear denoiser ends where 1/2|x-y|^2 + tau J is smallest: (1 + tau (1/w - 1)/step) x = y per frequency. */
static void plug_and_play(void)
{
    nrx_linop A = NRX_ZERO;
    nrx_net_recon_desc d = NRX_ZERO;
    nrx_net_recon_info info;
    float y[AREA], x[AREA];
    size_t i, f;
    A.apply = A.adjoint = identity; A.rows = A.cols = AREA; A.dtype = NRX_F32; A.norm = 1;
    noise(y, AREA, 1);
    memset(x, 0, sizeof x);
    d.step = 0.5; d.tol = 1e-7;
    CHECK(nrx_net_pnp(&A, y, filtered, NULL, x, &d, &info) == NRX_OK && info.solve.stop == NRX_STOP_TOL);
    for (f = 0; f < AREA; f += 7) {
        double w = 0.6 + 0.4 * cos(2 * NRX_PI * (double)f / AREA), factor = 1 / (1 + (1 / w - 1) * 0.5 / 0.5), re = 0, im = 0, xr = 0, xi = 0;
        for (i = 0; i < AREA; i++) {
            double c = cos(2 * NRX_PI * (double)(f * i % AREA) / AREA), s = sin(2 * NRX_PI * (double)(f * i % AREA) / AREA);
            re += (double)y[i] * c; im += (double)y[i] * s; xr += (double)x[i] * c; xi += (double)x[i] * s;
        }
        CHECK_NEAR(xr, factor * re, 2e-4); CHECK_NEAR(xi, factor * im, 2e-4);
    }
    memset(x, 0, sizeof x);
    d.step = 0; d.lambda = 0.5;
    CHECK(nrx_net_red(&A, y, smoother, NULL, x, &d, &info) == NRX_OK && info.solve.stop == NRX_STOP_TOL);
}

int main(void)
{
    convexity();
    memory();
    training();
    bilevel();
    plug_and_play();
    return nrx_test_end();
}
