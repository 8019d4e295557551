/* SPDX-License-Identifier: MIT-0 OR Unlicense
   Learned reconstruction of 48 x 48 phantoms, everything trained from scratch, in one table.
     nets_table run LOG [tier1|tier2|extra|all [METHODS]]   appends every number to LOG; a second run continues where the first
                                stopped; METHODS, "CRR,WCRR": these alone
     nets_table report LOG                        prints the tables from LOG and checks the claims
     nets_table                                   tier 1 and its tables, nothing kept
   The protocol, fixed before the numbers were seen:
   - 12 settings: sparse view (24 angles over 180 degrees) and limited angle (24 over 120), white noise of 5 % and 2 % of
     the mean absolute value of the data, phantoms shaded and textured (amplitudes .04 and .12) or piecewise constant
     ellipses; 71 bins, Joseph's projector, scaled to norm one.
   - 200 training images (with random flips) and 20 test images for each of 3 seeds, 6 validation images; all from
     disjoint streams of the generator, noise included. All methods see the same noisy data of an image.
   - Choices are made on the 6 validation images with the network of seed 0 and hold for all seeds. The same pattern
     search in log2 space for everybody: at most 16 trials of (weight) or (weight, scale), factors 4, 2, sqrt 2 and, for
     one parameter, 2^(1/4), no edges, with the iterations of the test. Learned methods: two learning rates, r and 2r, in
     the first setting (sparse, 5 %, texture .04), each with its own search. Test images are only ever measured.
   - CRR, WCRR (32 filters of 7 x 7, 6000 steps) and LPN are trained as denoisers of white noise with standard deviation
     .05 and .02 in the settings of 5 % and 2 %; CRR and WCRR also with half as much again, the better one on the validation
     images of each setting is kept. Changed after earlier runs: see nets_table.txt.
   - ACR, ACNCR and AWCR are critics with mirrored and renewed negatives (see critic_pairs); "AR mirr." is the same for an
     unconstrained network, AR the same network trained as published. U-Net: 6000 steps. Both were changed on validation
     images after a first run: see nets_table.txt.
   - x >= 0 for all: in the solver where there is one, by clipping the output where there is none (FBP, Gauss, U-Net,
     LPD). Every variational method starts at FBP; TV (isotropic, primal-dual, 400 iterations) at zero, its energy being
     convex. PSNR with the range of the reference image, SSIM of Wang et al. with range 1. "best" is the iterate nearest
     to the truth, watched but never used.
   - Gauss: the linear MAP estimate for x ~ N(m, C), m and the diagonal of C in the cosine basis from the training
     images; says how much of a gain is second-order statistics of the phantoms.
   - Standard errors are of the 60 paired differences; the means of the three seeds are printed beside them.
   Tier 1 is FBP, Gauss, TV, CRR, WCRR in all settings. Tier 2 adds the rest at texture .04 and 5 % noise, both
   geometries; extra the rest in the other settings. */
#define NRX_VERBOSE
#ifndef NRX_TABLE_LINKED /* defined when the implementation is linked from another object */
#define NRX_NETS_IMPLEMENTATION
#define NRX_CT_IMPLEMENTATION
#endif
#include "nrx_nets.h"
#include "nrx_ct.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { N = 48, VIEWS = 24, BINS = 71, TRAIN = 200, VAL = 6, TEST = 20, AREA = N * N, DATA = VIEWS * BINS, SEEDS = 3 };
enum { M_FBP, M_GAUSS, M_TV, M_CRR, M_WCRR, M_ACR, M_ACNCR, M_AWCR, M_AR, M_UNET, M_LPD, M_LPN, M_ARM, METHODS };
enum { SETTINGS = 12, TRIALS = 16, ITERATIONS = 400, CRITIC_ITERATIONS = 250 };
static const char *const names[METHODS] = {"FBP", "Gauss", "TV", "CRR", "WCRR", "ACR", "ACNCR", "AWCR", "AR", "U-Net",
                                           "LPD", "LPN-PnP", "AR mirr."};
static const char *const kinds[3] = {"textured .04", "textured .12", "piecewise-constant ellipses"};
/* how many of (weight, scale) a method has, where the search starts, and the first learning rate */
static const int dims[METHODS] = {0, 1, 1, 2, 2, 1, 1, 1, 1, 0, 0, 2, 1};
static const double first_weight[METHODS] = {1, 1e-3, 1e-3, 0.08, 0.04, 1, 1, 1, 1, 1, 1, 0.05, 1};
static const double first_rate[METHODS] = {0, 0, 0, 3e-3, 3e-3, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3};

static float train[SEEDS][TRAIN * AREA], val[VAL * AREA], test[SEEDS][TEST * AREA], val_y[VAL * DATA];
static nrx_ct_geometry geo;
static nrx_linop raw, op, start_op;
static double op_norm, noise_level;
static int setting_now = -1, kind_now = -1; /* setting = kind*4 + angle*2 + level */
static FILE *log_file;
static const char *only; /* names of methods, or NULL for all */

/* what LOG holds */
static double res[SETTINGS][METHODS][SEEDS * TEST], res_best[SETTINGS][METHODS][SEEDS * TEST];
static double res_ssim[SETTINGS][METHODS][SEEDS * TEST], seconds[SETTINGS][METHODS][SEEDS];
static size_t have[SETTINGS][METHODS][SEEDS];
static unsigned char seen[SETTINGS][METHODS][SEEDS * TEST];
static double chosen[SETTINGS][METHODS][2], val_psnr[SETTINGS][METHODS], rates[METHODS];
static int is_chosen[SETTINGS][METHODS];
static double level[SETTINGS][METHODS]; /* training noise of ridge regularizers, in noise levels of the scan; 0 = not chosen: 1 */
static char proof[SETTINGS][METHODS][120];

static double now(void) { return (double)clock() / CLOCKS_PER_SEC; }

/* ---- the scan ---- */

static nrx_status scaled_apply(void *u, const void *x, void *y)
{
    nrx_status s = raw.apply(raw.user, x, y);
    size_t i;
    (void)u;
    for (i = 0; i < DATA; i++) ((float *)y)[i] *= (float)(1 / op_norm);
    return s;
}
static nrx_status scaled_adjoint(void *u, const void *y, void *x)
{
    nrx_status s = raw.adjoint(raw.user, y, x);
    size_t i;
    (void)u;
    for (i = 0; i < AREA; i++) ((float *)x)[i] *= (float)(1 / op_norm);
    return s;
}

static void fbp(const float *y, float *x)
{
    float full[DATA];
    size_t i;
    for (i = 0; i < DATA; i++) full[i] = y[i] * (float)op_norm;
    (void)nrx_ct_fbp(&geo, full, x, NULL);
}
static nrx_status start_apply(void *u, const void *y, void *x) { (void)u; fbp((const float *)y, (float *)x); return NRX_OK; }
static nrx_status start_adjoint(void *u, const void *x, void *y) /* gradients with respect to data are never used */
{
    (void)u; (void)x;
    memset(y, 0, DATA * sizeof(float));
    return NRX_OK;
}

static void phantom(int kind, uint64_t seed, uint64_t index, float *x)
{
    nrx_ct_geometry g = nrx_ct_parallel(N, N, VIEWS, BINS);
    nrx_rng r;
    size_t i, j, k, m;
    double a, b, e[8][5];
    if (kind < 2) { (void)nrx_ct_phantom_textured(&g, seed, index, kind == 0 ? 0.04 : 0.12, x); return; }
    /* piecewise constant: a body and its inclusions without shading and texture */
    nrx_rng_seed(&r, seed, 7000 + index);
    a = 0.32 + 0.12 * nrx_rng_uniform(&r); b = 0.32 + 0.12 * nrx_rng_uniform(&r);
    m = 4 + (size_t)nrx_rng_below(&r, 5);
    for (k = 0; k < m; k++) {
        e[k][0] = 0.5 * (nrx_rng_uniform(&r) - 0.5); e[k][1] = 0.5 * (nrx_rng_uniform(&r) - 0.5);
        e[k][2] = 0.03 + 0.12 * nrx_rng_uniform(&r); e[k][3] = 0.03 + 0.12 * nrx_rng_uniform(&r);
        e[k][4] = 0.8 * (nrx_rng_uniform(&r) - 0.5);
    }
    for (i = 0; i < N; i++)
        for (j = 0; j < N; j++) {
            double u = ((double)j + 0.5) / N - 0.5, v = ((double)i + 0.5) / N - 0.5;
            double s = u * u / (a * a) + v * v / (b * b) < 1 ? 0.5 : 0;
            for (k = 0; s > 0 && k < m; k++) {
                double p = (u - e[k][0]) / e[k][2], q = (v - e[k][1]) / e[k][3];
                if (p * p + q * q < 1) s += e[k][4];
            }
            x[i * N + j] = (float)(s < 0 ? 0 : s > 1 ? 1 : s);
        }
}

/* Data of the normalised operator with noise of noise_level times the mean absolute value. */
static void scan(const float *x, uint64_t seed, float *y)
{
    nrx_rng r;
    double mean = 0;
    size_t i;
    (void)op.apply(op.user, x, y);
    for (i = 0; i < DATA; i++) mean += fabs((double)y[i]) / DATA;
    nrx_rng_seed(&r, 99, seed);
    for (i = 0; i < DATA; i++) y[i] += (float)(noise_level * mean * nrx_rng_normal(&r));
}
static void scan_test(size_t s, size_t i, float *y) { scan(test[s] + i * AREA, 1000 * (s + 1) + i, y); }

static double psnr(const float *x, const float *ref)
{
    double lo = 1e9, hi = -1e9, e = 0;
    size_t i;
    for (i = 0; i < AREA; i++) {
        double v = ref[i], d = (double)x[i] - v;
        lo = v < lo ? v : lo; hi = v > hi ? v : hi; e += d * d / AREA;
    }
    return 10 * log10((hi - lo) * (hi - lo) / e);
}
static double ssim(const float *x, const float *ref)
{
    double s = 0;
    (void)nrx_ct_ssim(N, N, NRX_F32, x, ref, 1.0, 0, NULL, &s);
    return s;
}
static double watch(void *u, const float *x) { return psnr(x, (const float *)u); }

/* Makes `setting` the one that op, fbp, scan and the phantoms belong to. */
static void enter(int setting)
{
    double upper;
    size_t i, s;
    if (setting == setting_now) return;
    if (setting_now >= 0) nrx_ct_linop_free(&raw);
    setting_now = setting;
    if (setting / 4 != kind_now) {
        kind_now = setting / 4;
        for (i = 0; i < VAL; i++) phantom(kind_now, 77, i, val + i * AREA);
        for (s = 0; s < SEEDS; s++) {
            for (i = 0; i < TRAIN; i++) phantom(kind_now, 100 + s, i, train[s] + i * AREA);
            for (i = 0; i < TEST; i++) phantom(kind_now, 200 + s, i, test[s] + i * AREA);
        }
    }
    geo = nrx_ct_parallel(N, N, VIEWS, BINS);
    if (setting / 2 % 2) geo.step = 2 * NRX_PI / 3 / VIEWS;
    if (nrx_ct_linop(&geo, &raw) != NRX_OK || nrx_ct_norm(&geo, 30, &op_norm, &upper) != NRX_OK) exit(1);
    op_norm *= 1.001;
    op.apply = scaled_apply; op.adjoint = scaled_adjoint; op.rows = DATA; op.cols = AREA; op.dtype = NRX_F32; op.norm = 1;
    start_op = op;
    start_op.apply = start_apply; start_op.adjoint = start_adjoint; start_op.rows = AREA; start_op.cols = DATA;
    noise_level = setting % 2 ? 0.02 : 0.05;
    for (i = 0; i < VAL; i++) scan(val + i * AREA, 5000 + i, val_y + i * DATA);
}

/* ---- Gauss: mean image and variances in the orthonormal cosine basis, MAP by conjugate gradients ---- */

static float cosines[N * N], gauss_mean[AREA], gauss_inverse[AREA];

static void multiply(int ta, int tb, const float *a, const float *b, float *c) /* op(a) op(b) */
{
    float row[N];
    size_t i, j, k;
    for (i = 0; i < N; i++) {
        memset(row, 0, sizeof row);
        for (k = 0; k < N; k++) {
            float f = ta ? a[k * N + i] : a[i * N + k];
            for (j = 0; j < N; j++) row[j] += f * (tb ? b[j * N + k] : b[k * N + j]);
        }
        memcpy(c + i * N, row, sizeof row);
    }
}
static void cosine(const float *x, float *y, int inverse) /* C x C^T or C^T x C */
{
    float t[AREA];
    multiply(inverse, 0, cosines, x, t);
    multiply(0, !inverse, t, cosines, y);
}
static void gauss_fit(size_t s)
{
    size_t i, k;
    float d[AREA], c[AREA];
    for (k = 0; k < N; k++)
        for (i = 0; i < N; i++)
            cosines[k * N + i] = (float)(sqrt((k ? 2.0 : 1.0) / N) * cos(NRX_PI * (double)k * ((double)i + 0.5) / N));
    memset(gauss_mean, 0, sizeof gauss_mean);
    memset(gauss_inverse, 0, sizeof gauss_inverse);
    for (i = 0; i < TRAIN; i++) for (k = 0; k < AREA; k++) gauss_mean[k] += train[s][i * AREA + k] / (float)TRAIN;
    for (i = 0; i < TRAIN; i++) {
        for (k = 0; k < AREA; k++) d[k] = train[s][i * AREA + k] - gauss_mean[k];
        cosine(d, c, 0);
        for (k = 0; k < AREA; k++) gauss_inverse[k] += c[k] * c[k] / (float)TRAIN;
    }
    for (k = 0; k < AREA; k++) gauss_inverse[k] = 1 / (gauss_inverse[k] + 1e-6f);
}
/* x <- argmin |A x - b|^2/2 + weight/2 (x - m)^T P (x - m), P given by `precision` (NULL = identity), from x */
static void quadratic(const float *b, const float *m, const float *precision, double weight, size_t steps, float *x)
{
    float t[DATA], r[AREA], p[AREA], q[AREA], c[AREA];
    double rr = 0, first = 0;
    size_t i, k;
    for (k = 0; k <= steps; k++) { /* k = 0: q = H x, afterwards q = H p */
        double pq = 0, next = 0;
        const float *at = k ? p : x;
        (void)op.apply(op.user, at, t);
        if (!k) for (i = 0; i < DATA; i++) t[i] -= b[i];
        (void)op.adjoint(op.user, t, q);
        for (i = 0; i < AREA; i++) r[i] = k ? r[i] : x[i] - m[i];
        if (precision) {
            cosine(k ? p : r, c, 0);
            for (i = 0; i < AREA; i++) c[i] *= precision[i];
            { float copy[AREA]; memcpy(copy, c, sizeof c); cosine(copy, c, 1); }
        } else memcpy(c, k ? p : r, sizeof c);
        for (i = 0; i < AREA; i++) q[i] += (float)weight * c[i];
        if (!k) {
            for (i = 0; i < AREA; i++) { r[i] = p[i] = -q[i]; rr += (double)r[i] * (double)r[i]; }
            first = rr;
            continue;
        }
        for (i = 0; i < AREA; i++) pq += (double)p[i] * (double)q[i];
        if (!(pq > 0) || rr <= 1e-12 * first) break;
        for (i = 0; i < AREA; i++) {
            x[i] += (float)(rr / pq) * p[i];
            r[i] -= (float)(rr / pq) * q[i];
            next += (double)r[i] * (double)r[i];
        }
        for (i = 0; i < AREA; i++) p[i] = r[i] + (float)(next / rr) * p[i];
        rr = next;
    }
}

/* ---- training ---- */

static size_t train_seed;

static void draw(nrx_rng *r, float *x) /* a training image, flipped at random */
{
    const float *from = train[train_seed] + (size_t)nrx_rng_below(r, TRAIN) * AREA;
    uint32_t flip = nrx_rng_u32(r);
    size_t i, j;
    for (i = 0; i < N; i++)
        for (j = 0; j < N; j++) x[i * N + j] = from[(flip & 1 ? N - 1 - i : i) * N + (flip & 2 ? N - 1 - j : j)];
}
/* (image, FBP); with user not NULL FBP after ten Landweber steps (the "Mini" start of the original AR) */
static nrx_status image_pairs(void *user, nrx_rng *r, size_t n, float *clean, float *noisy)
{
    size_t i, k, j;
    float y[DATA], g[AREA], t[DATA];
    for (i = 0; i < n; i++) {
        float *x = noisy + i * AREA;
        draw(r, clean + i * AREA);
        scan(clean + i * AREA, nrx_rng_u64(r), y);
        fbp(y, x);
        for (k = 0; user && k < 10; k++) {
            (void)op.apply(op.user, x, t);
            for (j = 0; j < DATA; j++) t[j] -= y[j];
            (void)op.adjoint(op.user, t, g);
            for (j = 0; j < AREA; j++) x[j] -= g[j];
        }
    }
    return NRX_OK;
}
static nrx_status data_pairs(void *user, nrx_rng *r, size_t n, float *clean, float *noisy) /* (image, data) */
{
    size_t i;
    (void)user;
    for (i = 0; i < n; i++) {
        draw(r, clean + i * AREA);
        scan(clean + i * AREA, nrx_rng_u64(r), noisy + i * DATA);
    }
    return NRX_OK;
}

/* Negatives of a critic. A critic that only ever sees FBP learns the way from FBP to the images and leads past them; so
   a negative n of the image x is replaced by its mirror image 2x - n half of the time (for a convex R this asks for
   curvature across the images instead of a slope), and from the second round on half of the negatives are
   reconstructions that the critic of the round before led to. AR alone is trained as published, on FBP after ten Landweber steps. */
enum { ROUNDS = 3, POOL = 64 };
static float pool_clean[(ROUNDS - 1) * POOL * AREA], pool_noisy[(ROUNDS - 1) * POOL * AREA];
static size_t pool_size;

static nrx_status critic_pairs(void *user, nrx_rng *r, size_t n, float *clean, float *noisy)
{
    size_t i, k;
    (void)user;
    for (i = 0; i < n; i++, clean += AREA, noisy += AREA) {
        if (pool_size && nrx_rng_u32(r) & 1) {
            size_t at = (size_t)nrx_rng_below(r, (uint32_t)pool_size);
            memcpy(clean, pool_clean + at * AREA, AREA * sizeof(float));
            memcpy(noisy, pool_noisy + at * AREA, AREA * sizeof(float));
        } else (void)image_pairs(NULL, r, 1, clean, noisy);
        if (nrx_rng_u32(r) & 1) for (k = 0; k < AREA; k++) noisy[k] = 2 * clean[k] - noisy[k];
    }
    return NRX_OK;
}
static double critic_weight(void);
static void pool_fill(int m, const nrx_net *net, nrx_rng *r); /* below, with the reconstructions */

static void train_critic(int m, size_t s, double rate, nrx_net **net)
{
    nrx_net_icnn_desc d = NRX_ZERO, image;
    nrx_net_unrolled_desc u = NRX_ZERO;
    nrx_net_train_desc t = NRX_ZERO;
    nrx_rng r;
    int round;
    /* zero-mean filters on x: without them, on 3 validation images, ACR ended 1.3 to 2 dB below its best iterate */
    d.layers = 2; d.channels = 8; d.seed = s; d.zero_mean = 1; d.activation = NRX_NET_SMOOTH_RELU; d.activation_a = 0.05;
    d.unconstrained = m == M_AR || m == M_ARM;
    d.quadratic = d.unconstrained ? 0 : 1e-4;
    d.filter_bank = m == M_ACR ? 1 : 0;
    if (m == M_AWCR) (void)nrx_net_iwcnn(&d, net);
    else if (m == M_ACNCR) {
        image = d;
        d.quadratic = 0;
        u.op = &op; u.height = N; u.width = N; u.data_height = VIEWS; u.data_width = BINS;
        (void)nrx_net_acncr(&u, &d, &image, net);
    } else (void)nrx_net_icnn(&d, net);
    if (!*net) exit(1);
    t.loss = NRX_NET_LOSS_CRITIC; t.data.pairs = m == M_AR ? image_pairs : critic_pairs; t.data.user = &train_seed; t.height = N; t.width = N;
    t.batch = 2; t.steps = 1000; t.beta1 = 0.5; t.clip = 10; /* slopes up to one: the slope at an image is to vanish */
    pool_size = 0;
    nrx_rng_seed(&r, 300 + s, 0);
    for (round = 0; round < ROUNDS; round++) {
        t.seed = s + 1 + 10 * (uint64_t)round;
        t.rate = rate / (1 + round);
        if (nrx_net_train(*net, &t, NULL) != NRX_OK) exit(1);
        if (m == M_AR) break;
        if (round + 1 < ROUNDS) pool_fill(m, *net, &r);
    }
}

static void train_supervised(int m, size_t s, double rate, nrx_net **net)
{
    nrx_net_cnn_desc c = NRX_ZERO;
    nrx_net_unrolled_desc u = NRX_ZERO;
    nrx_net_train_desc t = NRX_ZERO;
    c.channels = 12; c.seed = s; c.init_scale = 0.1;
    u.op = &op; u.height = N; u.width = N; u.data_height = VIEWS; u.data_width = BINS; u.inverse = &start_op;
    u.iterations = 5; u.channels = 12; u.memory = 4; u.seed = s;
    if (m == M_UNET) (void)nrx_net_unet(&c, net);
    else (void)nrx_net_lpd(&u, net);
    t.predict = NRX_NET_PREDICT_OUTPUT; t.data.pairs = m == M_UNET ? image_pairs : data_pairs;
    t.batch = 4; t.steps = m == M_UNET ? 6000 : 1500; t.rate = rate; t.seed = s + 1; t.clip = 1;
    t.height = m == M_UNET ? N : VIEWS; t.width = m == M_UNET ? N : BINS;
    if (!*net || nrx_net_train(*net, &t, NULL) != NRX_OK) exit(1);
}

static void train_lpn(size_t s, double rate, nrx_net **net)
{
    nrx_net_icnn_desc d = NRX_ZERO;
    nrx_net_train_desc t = NRX_ZERO;
    d.layers = 2; d.channels = 12; d.activation = NRX_NET_SOFTPLUS; d.activation_a = 10; d.sum = 1; d.quadratic = 0.3;
    d.seed = s;
    if (nrx_net_icnn(&d, net) != NRX_OK) exit(1);
    t.data.images = train[s]; t.data.count = TRAIN; t.data.height = t.data.width = N;
    t.predict = NRX_NET_PREDICT_GRADIENT; t.sigma_max = noise_level; t.batch = 2; t.seed = s + 1;
    t.loss = NRX_NET_LOSS_L1; t.steps = 1200; t.rate = rate;
    if (nrx_net_train(*net, &t, NULL) != NRX_OK) exit(1);
    t.loss = NRX_NET_LOSS_PROXIMAL; t.gamma = noise_level; t.steps = 600; t.rate = rate / 4;
    if (nrx_net_train(*net, &t, NULL) != NRX_OK) exit(1);
}

static double level_of(int m) { return level[setting_now][m] > 0 ? level[setting_now][m] : 1; }

static nrx_net *train_method(int m, size_t s, double rate, double *took)
{
    nrx_net *net = NULL;
    double start = now();
    train_seed = s;
    if (m == M_CRR || m == M_WCRR) {
        nrx_net_crr_desc d = NRX_ZERO;
        nrx_net_train_desc t = NRX_ZERO;
        d.seed = s; d.sigma = noise_level * level_of(m); d.filters = 32; d.kernel = 7;
        t.seed = s + 1; t.rate = rate; t.sigma_max = d.sigma; t.steps = 6000;
        if ((m == M_CRR ? nrx_net_crr(&d, &net) : nrx_net_wcrr(&d, &net)) != NRX_OK) exit(1);
        if (nrx_net_train_scores(net, train[s], TRAIN, N, N, &t, NULL) != NRX_OK) exit(1);
    } else if (m == M_UNET || m == M_LPD) train_supervised(m, s, rate, &net);
    else if (m == M_LPN) train_lpn(s, rate, &net);
    else train_critic(m, s, rate, &net);
    *took = now() - start;
    return net;
}

/* Networks stay while they may be asked for again. Ridge regularizers and LPN see images only: one for each kind of
   phantom, noise level, seed and rate serves two settings; the others belong to one setting. */
static struct { nrx_net *net; int m, place; size_t s; double rate, level, took; } kept[24];
static int images_only(int m) { return m == M_CRR || m == M_WCRR || m == M_LPN; }
static int place_of(int m) { return images_only(m) ? 100 + kind_now * 2 + setting_now % 2 : setting_now; }
static int is_past(int m, int place) { return images_only(m) ? (place - 100) / 2 != kind_now : place != setting_now; }
static nrx_net *network(int m, size_t s, double rate, double *took)
{
    size_t i, at = 0;
    int place = place_of(m);
    *took = 0;
    if (m <= M_TV) return NULL;
    for (i = 0; i < 24; i++)
        if (kept[i].net && kept[i].m == m && kept[i].place == place && kept[i].s == s && kept[i].rate == rate
            && kept[i].level == level_of(m)) {
            *took = kept[i].took;
            return kept[i].net;
        }
    for (i = 0; i < 24; i++) { /* a free place, or that of a network of the past */
        if (kept[i].net && is_past(kept[i].m, kept[i].place)) { nrx_net_free(kept[i].net); kept[i].net = NULL; }
        if (!kept[i].net) at = i;
    }
    nrx_net_free(kept[at].net);
    kept[at].net = train_method(m, s, rate, took);
    kept[at].m = m; kept[at].place = place; kept[at].s = s; kept[at].rate = rate; kept[at].level = level_of(m); kept[at].took = *took;
    printf("  %s, seed %lu, rate %g: trained in %.1f s\n", names[m], (unsigned long)s, rate, *took);
    fflush(stdout);
    return kept[at].net;
}

/* ---- reconstruction ---- */

static size_t critic_iterations = CRITIC_ITERATIONS;
typedef struct session { int m; nrx_functional f; nrx_net_plan *plan; double iterations, stopped, runs; } session;

static void session_open(session *w, int m, const nrx_net *net, size_t s)
{
    nrx_net_plan_desc pd = NRX_ZERO;
    memset(w, 0, sizeof *w);
    w->m = m;
    if (m == M_GAUSS) gauss_fit(s);
    if (!net) return;
    if ((m >= M_CRR && m <= M_AR) || m == M_ARM) { if (nrx_net_functional(net, N, N, NULL, &w->f) != NRX_OK) exit(1); return; }
    pd.height = m == M_LPD ? VIEWS : N; pd.width = m == M_LPD ? BINS : N;
    pd.mode = m == M_LPN ? NRX_NET_GRADIENT : NRX_NET_INFER;
    if (nrx_net_plan_create(net, &pd, &w->plan) != NRX_OK) exit(1);
}
static void session_close(session *w)
{
    if (w->f.eval) nrx_net_functional_free(&w->f);
    if (w->plan) nrx_net_plan_free(w->plan);
}

/* ADMM with the denoiser D(mu x)/mu as proximal map: |Ax-y|^2/2 + weight phi(mu x)/mu^2, D the proximal map of phi. */
static double admm(session *w, const double p[2], const float *y, float *x, const float *truth)
{
    static float z[AREA], u[AREA], in[AREA], b[AREA];
    double best = -1e9;
    size_t i, k;
    memcpy(z, x, sizeof z);
    memset(u, 0, sizeof u);
    for (k = 0; k < 60; k++) {
        double change = 0, size = 0;
        for (i = 0; i < AREA; i++) b[i] = z[i] - u[i];
        quadratic(y, b, NULL, p[0], 10, x);
        for (i = 0; i < AREA; i++) in[i] = (float)p[1] * (x[i] + u[i]);
        if (nrx_net_forward(w->plan, in, NULL) != NRX_OK || nrx_net_backward(w->plan, NULL, b, NULL) != NRX_OK) exit(1);
        for (i = 0; i < AREA; i++) {
            double v = (double)b[i] / p[1], d;
            if (v < 0) v = 0;
            d = v - (double)z[i];
            change += d * d;
            size += v * v;
            z[i] = (float)v;
            u[i] += x[i] - z[i];
        }
        if (truth) { double now_at = psnr(z, truth); if (now_at > best) best = now_at; }
        w->iterations++;
        if (change <= 1e-8 * size) { w->stopped++; break; }
    }
    memcpy(x, z, sizeof z);
    return best;
}

/* One reconstruction; returns the best PSNR on the way (truth not NULL). */
static double reconstruct(session *w, const double p[2], const float *y, float *x, const float *truth)
{
    double best = -1e9;
    size_t i;
    w->runs++;
    fbp(y, x);
    if (w->m == M_TV) {
        float full[DATA];
        nrx_ct_solver d = NRX_ZERO;
        for (i = 0; i < DATA; i++) full[i] = y[i] * (float)op_norm; /* the energy of the unscaled operator, times norm^2 */
        d.lambda = p[0] * op_norm * op_norm;
        d.iterations = ITERATIONS;
        d.box = NRX_CT_LOWER;
        (void)nrx_ct_tv(&geo, full, x, &d);
        w->iterations += ITERATIONS;
    } else if (w->m == M_GAUSS) {
        memcpy(x, gauss_mean, sizeof gauss_mean);
        quadratic(y, gauss_mean, gauss_inverse, p[0], 150, x);
    } else if (w->m == M_UNET) {
        float in[AREA];
        memcpy(in, x, sizeof in);
        if (nrx_net_forward(w->plan, in, x) != NRX_OK) exit(1);
    } else if (w->m == M_LPD) {
        if (nrx_net_forward(w->plan, y, x) != NRX_OK) exit(1);
    } else if (w->m == M_LPN) best = admm(w, p, y, x, truth);
    else if (w->m != M_FBP) {
        nrx_net_recon_desc d = NRX_ZERO;
        nrx_net_recon_info info;
        (void)nrx_net_functional_rescale(&w->f, p[0], p[1]);
        d.max_iter = w->m == M_CRR || w->m == M_WCRR ? ITERATIONS : critic_iterations;
        d.nonnegative = 1;
        d.tol = 1e-5;
        if (w->f.lip == 0) d.method = NRX_SOLVE_NMAPG;
        if (truth) { float *t = (float *)malloc(AREA * sizeof *t); memcpy(t, truth, AREA * sizeof *t); d.measure = watch; d.measure_user = t; }
        (void)nrx_net_reconstruct(&op, y, &w->f, x, &d, &info);
        free(d.measure_user);
        if (truth) best = info.best;
        w->iterations += (double)info.solve.iterations;
        w->stopped += info.solve.stop == NRX_STOP_TOL;
    }
    for (i = 0; i < AREA; i++) if (x[i] < 0) x[i] = 0;
    return best;
}

/* Adds POOL reconstructions of training images, at weights within a factor of two of critic_weight and cut off after 50
   to 250 iterations. */
static void pool_fill(int m, const nrx_net *net, nrx_rng *r)
{
    session w;
    double at_one = critic_weight(), p[2];
    float y[DATA];
    size_t i;
    session_open(&w, m, net, train_seed);
    for (i = 0; i < POOL; i++, pool_size++) {
        draw(r, pool_clean + pool_size * AREA);
        scan(pool_clean + pool_size * AREA, nrx_rng_u64(r), y);
        p[0] = at_one * pow(2, 2 * nrx_rng_uniform(r) - 1); p[1] = 1;
        critic_iterations = (size_t)(50 * pow(5, nrx_rng_uniform(r)));
        (void)reconstruct(&w, p, y, pool_noisy + pool_size * AREA, NULL);
    }
    critic_iterations = CRITIC_ITERATIONS;
    session_close(&w);
}

/* ---- choices on the validation images ---- */

static double validate(session *w, const double p[2])
{
    double sum = 0;
    size_t i;
    float x[AREA];
    for (i = 0; i < VAL; i++) { (void)reconstruct(w, p, val_y + i * DATA, x, NULL); sum += psnr(x, val + i * AREA) / VAL; }
    return sum;
}

/* Pattern search over log2 of the method's parameters from p; gives the best validation PSNR. */
static double search(session *w, int n, double p[2])
{
    double tried[TRIALS][2], base[2], step, top;
    int count = 0, d, sign, i;
    base[0] = log2(p[0]); base[1] = log2(p[1]);
    tried[0][0] = base[0]; tried[0][1] = base[1];
    top = validate(w, p);
    count = 1;
    for (step = 2; n > 0 && step >= (n == 1 ? 0.25 : 0.5) && count < TRIALS; step /= 2) {
        for (d = 0; d < n; d++)
            for (sign = 1; sign >= -1; sign -= 2) {
                int better = 1;
                while (better && count < TRIALS) {
                    double at[2], q[2], v;
                    better = 0;
                    at[0] = base[0]; at[1] = base[1];
                    at[d] += sign * step;
                    for (i = 0; i < count; i++) if (fabs(tried[i][0] - at[0]) + fabs(tried[i][1] - at[1]) < 1e-9) break;
                    if (i < count) break;
                    q[0] = pow(2, at[0]); q[1] = pow(2, at[1]);
                    v = validate(w, q);
                    tried[count][0] = at[0]; tried[count][1] = at[1]; count++;
                    if (v > top) { top = v; base[0] = at[0]; base[1] = at[1]; p[0] = q[0]; p[1] = q[1]; better = 1; }
                }
            }
    }
    printf("  %s: weight %.4g scale %.3g, validation %.3f dB after %d trials\n", names[w->m], p[0], p[1], top, count);
    fflush(stdout);
    return top;
}

/* E|A^T e|: where a critic of unit slope balances the data (Lunz et al. 2018) */
static double critic_weight(void)
{
    float z[DATA], g[AREA];
    double sum = 0;
    size_t i, k;
    for (i = 0; i < VAL; i++) {
        double n2 = 0;
        (void)op.apply(op.user, val + i * AREA, z);
        for (k = 0; k < DATA; k++) z[k] -= val_y[i * DATA + k];
        (void)op.adjoint(op.user, z, g);
        for (k = 0; k < AREA; k++) n2 += (double)g[k] * (double)g[k];
        sum += sqrt(n2) / VAL;
    }
    return sum;
}

static double choose_at(int m, double rate, double p[2], double *took)
{
    session w;
    nrx_net *net = network(m, 0, rate, took);
    double top;
    p[0] = (m >= M_ACR && m <= M_AR) || m == M_ARM ? critic_weight() : first_weight[m];
    p[1] = 1;
    session_open(&w, m, net, 0);
    top = search(&w, dims[m], p);
    session_close(&w);
    return top;
}

static void chose(int m, const double p[2], double top)
{
    int g = setting_now;
    chosen[g][m][0] = p[0]; chosen[g][m][1] = p[1];
    val_psnr[g][m] = top;
    is_chosen[g][m] = 1;
    fprintf(log_file, "choice %d %d %.9g %.9g %.4f\n", g, m, p[0], p[1], top);
    fflush(log_file);
}

static void choose_rate(int m) /* of two, in the first setting */
{
    double p[2], q[2], a, b, took;
    int back = setting_now;
    enter(0);
    a = choose_at(m, first_rate[m], p, &took);
    b = choose_at(m, 2 * first_rate[m], q, &took);
    rates[m] = b > a ? 2 * first_rate[m] : first_rate[m];
    fprintf(log_file, "rate %d %.9g %.4f %.4f\n", m, rates[m], a, b);
    chose(m, b > a ? q : p, b > a ? b : a);
    enter(back);
}
static void choose_level(int m) /* training noise: that of the scan, or half as much again */
{
    double p[2], v, took, top = is_chosen[setting_now][m] ? val_psnr[setting_now][m] : choose_at(m, rates[m], p, &took);
    if (!is_chosen[setting_now][m]) chose(m, p, top);
    level[setting_now][m] = 1.5;
    v = choose_at(m, rates[m], p, &took);
    if (v > top) chose(m, p, v);
    else level[setting_now][m] = 1;
    fprintf(log_file, "level %d %d %g %.4f %.4f\n", setting_now, m, level[setting_now][m], top, v);
    fflush(log_file);
}
static void choose(int m)
{
    double p[2], top, took;
    int ridge = m == M_CRR || m == M_WCRR;
    if (rates[m] == 0 && first_rate[m] > 0) choose_rate(m);
    if (ridge && level[setting_now][m] == 0) choose_level(m);
    if (is_chosen[setting_now][m]) return;
    top = choose_at(m, rates[m], p, &took);
    chose(m, p, top);
}

/* ---- the run ---- */

static void store(int g, int m, size_t s, size_t i, double a, double b, double c)
{
    size_t at = s * TEST + i;
    res[g][m][at] = a; res_best[g][m][at] = b > a ? b : a; res_ssim[g][m][at] = c;
    if (!seen[g][m][at]) { seen[g][m][at] = 1; have[g][m][s]++; }
}

static void measure(int m, size_t s)
{
    session w;
    double took;
    nrx_net *net;
    float y[DATA], x[AREA];
    size_t i;
    if (have[setting_now][m][s] >= TEST || (only && !strstr(only, names[m]))) return;
    choose(m);
    net = network(m, s, rates[m], &took);
    session_open(&w, m, net, s);
    for (i = 0; i < TEST; i++) {
        const float *truth = test[s] + i * AREA;
        double best, a, b;
        scan_test(s, i, y);
        best = reconstruct(&w, chosen[setting_now][m], y, x, truth);
        a = psnr(x, truth); b = ssim(x, truth);
        store(setting_now, m, s, i, a, best, b);
        fprintf(log_file, "result %d %d %lu %lu %.4f %.4f %.5f\n", setting_now, m, (unsigned long)s, (unsigned long)i, a, best > a ? best : a, b);
    }
    seconds[setting_now][m][s] = took;
    fprintf(log_file, "seconds %d %d %lu %.2f\n", setting_now, m, (unsigned long)s, took);
    if (net && s == 0) {
        nrx_net_report r;
        if (nrx_net_certify(net, m == M_LPD ? VIEWS : N, m == M_LPD ? BINS : N, &r) == NRX_OK) {
            memcpy(proof[setting_now][m], r.text, 80); proof[setting_now][m][80] = 0;
            fprintf(log_file, "proof %d %d %s\n", setting_now, m, proof[setting_now][m]);
        }
    }
    fflush(log_file);
    printf("setting %d %s seed %lu done; %.0f iterations on average, %.0f of %.0f runs ended by tolerance; %.0f s of CPU so far\n",
           setting_now, names[m], (unsigned long)s, w.iterations / w.runs, w.stopped, w.runs, now());
    fflush(stdout);
    session_close(&w);
}

static void tier1(void)
{
    int g, k;
    size_t s;
    for (g = 0; g < SETTINGS; g++) {
        enter(g);
        for (k = M_FBP; k <= M_WCRR; k++) for (s = 0; s < SEEDS; s++) measure(k, s);
    }
}
static void others(int g, size_t s)
{
    static const int order[8] = {M_ACR, M_AR, M_ARM, M_AWCR, M_LPN, M_ACNCR, M_LPD, M_UNET};
    int k;
    enter(g);
    for (k = 0; k < 8; k++) measure(order[k], s);
}
static void run(const char *what)
{
    int all = strcmp(what, "all") == 0, g;
    size_t s;
    if (all || strcmp(what, "tier1") == 0) tier1();
    for (s = 0; s < SEEDS && (all || strcmp(what, "tier2") == 0); s++) { others(0, s); others(2, s); }
    if (all || strcmp(what, "extra") == 0) for (g = 0; g < SETTINGS; g++) for (s = 0; s < SEEDS; s++) others(g, s);
}

/* ---- the report ---- */

static void load(const char *path)
{
    char line[300];
    FILE *f = fopen(path, "r");
    if (!f) return;
    while (fgets(line, sizeof line, f)) {
        int g, m;
        unsigned long s, i;
        double a, b, c;
        if (sscanf(line, "result %d %d %lu %lu %lf %lf %lf", &g, &m, &s, &i, &a, &b, &c) == 7) {
            if (g >= 0 && g < SETTINGS && m >= 0 && m < METHODS && s < SEEDS && i < TEST) store(g, m, s, i, a, b, c);
        } else if (sscanf(line, "seconds %d %d %lu %lf", &g, &m, &s, &a) == 4) {
            if (g >= 0 && g < SETTINGS && m >= 0 && m < METHODS && s < SEEDS) seconds[g][m][s] = a;
        } else if (sscanf(line, "choice %d %d %lf %lf %lf", &g, &m, &a, &b, &c) == 5) {
            if (g < 0 || g >= SETTINGS || m < 0 || m >= METHODS) continue;
            chosen[g][m][0] = a; chosen[g][m][1] = b; val_psnr[g][m] = c; is_chosen[g][m] = 1;
        } else if (sscanf(line, "level %d %d %lf", &g, &m, &a) == 3) {
            if (g >= 0 && g < SETTINGS && m >= 0 && m < METHODS) level[g][m] = a;
        } else if (sscanf(line, "rate %d %lf %lf %lf", &m, &a, &b, &c) == 4) {
            if (m >= 0 && m < METHODS) rates[m] = a;
        } else if (strncmp(line, "proof ", 6) == 0 && sscanf(line + 6, "%d %d", &g, &m) == 2 && g >= 0 && g < SETTINGS && m >= 0 && m < METHODS) {
            char *text = strchr(strchr(line + 6, ' ') + 1, ' ');
            if (!text) continue;
            text[strcspn(text, "\n")] = 0;
            memcpy(proof[g][m], text + 1, strlen(text + 1) < 100 ? strlen(text + 1) + 1 : 100);
            proof[g][m][99] = 0;
        }
    }
    fclose(f);
}

/* Mean and standard error of the paired differences of two methods over the seeds that both have. */
static size_t paired(int g, int a, int b, double *mean, double *error)
{
    size_t s, i, n = 0;
    double sum = 0, sq = 0;
    for (s = 0; s < SEEDS; s++)
        for (i = 0; i < TEST && have[g][a][s] == TEST && have[g][b][s] == TEST; i++) {
            double d = res[g][a][s * TEST + i] - res[g][b][s * TEST + i];
            sum += d; sq += d * d; n++;
        }
    *mean = n ? sum / (double)n : 0;
    *error = n > 1 ? sqrt((sq - sum * sum / (double)n) / (double)(n - 1) / (double)n) : 0;
    return n;
}

static int claim(int met, const char *text) { printf("  %s: %s\n", met ? "met    " : "NOT MET", text); return !met; }

static void table(int g)
{
    int m;
    printf("\n%s, %s, %g %% noise\n%-8s %3s %6s %6s %5s %6s %15s %18s %15s %7s  %s\n", kinds[g / 4],
           g / 2 % 2 ? "limited angle (120 degrees)" : "sparse view", g % 2 ? 2.0 : 5.0, "method", "n", "final", "best",
           "gap", "SSIM", "minus TV (s.e.)", "[by seed]", "minus CRR (s.e.)", "train s", "weight, scale; certificate");
    for (m = 0; m < METHODS; m++) {
        double a = 0, b = 0, q = 0, took = 0, d, e, by[SEEDS];
        size_t s, i, n = 0;
        for (s = 0; s < SEEDS; s++) {
            by[s] = 0;
            if (have[g][m][s] != TEST) continue;
            for (i = s * TEST; i < (s + 1) * TEST; i++) {
                a += res[g][m][i]; b += res_best[g][m][i]; q += res_ssim[g][m][i];
                by[s] += (res[g][m][i] - res[g][M_TV][i]) / TEST;
            }
            took = seconds[g][m][s] > took ? seconds[g][m][s] : took;
            n += TEST;
        }
        if (!n) continue;
        printf("%-8s %3lu %6.2f %6.2f %5.2f %6.3f ", names[m], (unsigned long)n, a / (double)n, b / (double)n, (b - a) / (double)n, q / (double)n);
        (void)paired(g, m, M_TV, &d, &e);
        printf("%+7.2f (%.2f)  [%+.2f %+.2f %+.2f]", d, e, by[0], by[1], by[2]);
        (void)paired(g, m, M_CRR, &d, &e);
        printf(" %+7.2f (%.2f) %7.1f  %.3g, %.3g; %s\n", d, e, took, chosen[g][m][0], chosen[g][m][1], m == M_TV ? "convex" : proof[g][m]);
    }
}

static double mean_gap(int g, int m, size_t *n)
{
    double v = 0;
    size_t s, i;
    *n = 0;
    for (s = 0; s < SEEDS; s++)
        for (i = 0; i < TEST && have[g][m][s] == TEST; i++, ++*n) v += res_best[g][m][s * TEST + i] - res[g][m][s * TEST + i];
    return *n ? v / (double)*n : 0;
}

static int report(void)
{
    int g, m, bad = 0;
    double d, e, took;
    char text[200];
    size_t n, s;
    for (m = 0; m < METHODS; m++) if (rates[m] > 0) printf("%s: learning rate %g\n", names[m], rates[m]);
    for (g = 0; g < SETTINGS; g++) {
        for (m = 0, n = 0; m < METHODS; m++) n += have[g][m][0];
        if (!n) continue;
        table(g);
        if (paired(g, M_CRR, M_TV, &d, &e) > 0) {
            for (s = 0, took = 0; s < SEEDS; s++) took = seconds[g][M_CRR][s] > took ? seconds[g][M_CRR][s] : took;
            for (s = 0; s < SEEDS; s++) took = seconds[g][M_WCRR][s] > took ? seconds[g][M_WCRR][s] : took;
            sprintf(text, "CRR above tuned TV by more than two standard errors (%.1f)", d / e);
            if (g < 8) bad += claim(d > 2 * e, text);
            if (g < 8) bad += claim(took < 120, "CRR and WCRR trained in under two minutes");
        }
        if (paired(g, M_WCRR, M_CRR, &d, &e) > 0 && g < 8 && g / 2 % 2 == 0) bad += claim(d >= 0, "WCRR at least CRR in sparse view");
        if (paired(g, M_WCRR, M_TV, &d, &e) > 0 && g >= 8 && g / 2 % 2 == 0) bad += claim(d >= 0, "WCRR reaches TV on ellipses in sparse view");
        if (have[g][M_ACR][0] == TEST && have[g][M_AR][0] == TEST) {
            double acr = mean_gap(g, M_ACR, &n), ar;
            ar = mean_gap(g, M_AR, &s);
            sprintf(text, "ACR's gap below .5 dB (%.2f, %lu images), AR's larger (%.2f, %lu images)", acr, (unsigned long)n, ar, (unsigned long)s);
            bad += claim(acr < 0.5 && ar > acr, text);
        }
        if (have[g][M_LPD][0] == TEST && g / 2 % 2 == 0) {
            int best = 1;
            for (m = 0; m < METHODS; m++) if (m != M_LPD && paired(g, M_LPD, m, &d, &e) > 0 && d <= 0) best = 0;
            bad += claim(best, "learned primal-dual best in sparse view");
        }
        for (m = M_UNET; m <= M_LPD; m++) {
            int above = 1, k;
            if (have[g][m][0] != TEST) continue;
            for (k = 0; k < METHODS; k++) if (k != M_UNET && k != M_LPD && paired(g, m, k, &d, &e) > 0 && d <= 0) above = 0;
            sprintf(text, "%s above every method without pairs", names[m]);
            bad += claim(above, text);
        }
        if (have[g][M_ACR][0] == TEST && paired(g, M_ACR, M_TV, &d, &e) > 0) (void)claim(d > 0, "(tier 3) adversarial ACR above TV");
        if (have[g][M_AWCR][0] == TEST && paired(g, M_AWCR, M_TV, &d, &e) > 0) (void)claim(d > 0, "(tier 3) adversarial AWCR above TV");
    }
    printf("\n%d claims not met\n", bad);
    return bad != 0;
}

int main(int argc, char **argv)
{
    if (argc == 1) { /* tier 1, nothing kept */
        log_file = tmpfile();
        if (!log_file) return 1;
        run("tier1");
        return report();
    }
    if (argc < 3 || (strcmp(argv[1], "run") && strcmp(argv[1], "report"))) {
        printf("usage: nets_table run LOG [tier1|tier2|extra|all [METHODS]]\n       nets_table report LOG\n");
        return 2;
    }
    load(argv[2]);
    if (argv[1][2] == 'p') return report();
    log_file = fopen(argv[2], "a");
    if (!log_file) { printf("nets_table: cannot append to %s\n", argv[2]); return 1; }
    if (argc > 4) only = argv[4];
    run(argc > 3 ? argv[3] : "tier1");
    fclose(log_file);
    return 0;
}
