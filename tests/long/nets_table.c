/* SPDX-License-Identifier: MIT-0 OR Unlicense
   Learned reconstruction of 48 x 48 phantoms, trained from scratch: one table for sparse view (24 angles over 180 degrees) and limited angle
   (24 over 120), two noise levels, on shaded and textured phantoms and on piecewise-constant ellipses.
     nets_table [tier1|tier2] [seeds] [texture ...]
   tier1: FBP, TV, CRR, WCRR in all settings, and the check that CRR beats tuned TV by two standard errors on textured phantoms.
   tier2: adversarial ACR, AR, AWCR, ACNCR, U-Net, learned primal-dual, LPN plug-and-play beside them, at 5 % noise.
   Every weight is chosen on validation images of seed 0; 20 test images per seed; PSNR with the range of the image. */
#define NRX_VERBOSE
#define NRX_NETS_IMPLEMENTATION
#define NRX_CT_IMPLEMENTATION
#include "nrx_nets.h"
#include "nrx_ct.h"
#include <stdio.h>
#include <time.h>

enum { N = 48, VIEWS = 24, BINS = 71, TRAIN = 200, VAL = 4, TEST = 20, AREA = N * N, DATA = VIEWS * BINS, SEEDS = 3, METHODS = 11 };
static const char *const names[METHODS] = {"FBP", "TV", "CRR", "WCRR", "ACR", "ACNCR", "AWCR", "AR", "U-Net", "LPD", "LPN-PnP"};
enum { M_FBP, M_TV, M_CRR, M_WCRR, M_ACR, M_ACNCR, M_AWCR, M_AR, M_UNET, M_LPD, M_LPN };

static float train[SEEDS][TRAIN * AREA], val[VAL * AREA], test[SEEDS][TEST * AREA];
static nrx_ct_geometry geo;
static nrx_linop raw, op;
static double op_norm, noise_level;

static double now(void) { return (double)clock() / CLOCKS_PER_SEC; }

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

static void phantom(int kind, uint64_t seed, uint64_t index, float *x)
{
    nrx_ct_geometry g = nrx_ct_parallel(N, N, VIEWS, BINS);
    if (kind < 2) (void)nrx_ct_phantom_textured(&g, seed, index, kind == 0 ? 0.04 : 0.12, x);
    else { /* piecewise constant: the body and its inclusions without shading and texture */
        nrx_rng r;
        size_t i, j, k, m;
        double a, b, e[8][5];
        nrx_rng_seed(&r, seed, 7000 + index);
        a = 0.32 + 0.12 * nrx_rng_uniform(&r); b = 0.32 + 0.12 * nrx_rng_uniform(&r); m = 4 + (size_t)nrx_rng_below(&r, 5);
        for (k = 0; k < m; k++) { e[k][0] = 0.5 * (nrx_rng_uniform(&r) - 0.5); e[k][1] = 0.5 * (nrx_rng_uniform(&r) - 0.5); e[k][2] = 0.03 + 0.12 * nrx_rng_uniform(&r); e[k][3] = 0.03 + 0.12 * nrx_rng_uniform(&r); e[k][4] = 0.8 * (nrx_rng_uniform(&r) - 0.5); }
        for (i = 0; i < N; i++) for (j = 0; j < N; j++) {
            double u = ((double)j + 0.5) / N - 0.5, v = ((double)i + 0.5) / N - 0.5, s = u * u / (a * a) + v * v / (b * b) < 1 ? 0.5 : 0;
            if (s > 0) for (k = 0; k < m; k++) { double p = (u - e[k][0]) / e[k][2], q = (v - e[k][1]) / e[k][3]; if (p * p + q * q < 1) s += e[k][4]; }
            x[i * N + j] = (float)(s < 0 ? 0 : s > 1 ? 1 : s);
        }
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

static void fbp(const float *y, float *x)
{
    float full[DATA];
    size_t i;
    for (i = 0; i < DATA; i++) full[i] = y[i] * (float)op_norm;
    (void)nrx_ct_fbp(&geo, full, x, NULL);
}

static double psnr(const float *x, const float *ref)
{
    double lo = 1e9, hi = -1e9, e = 0;
    size_t i;
    for (i = 0; i < AREA; i++) { double v = ref[i], d = (double)x[i] - v; lo = v < lo ? v : lo; hi = v > hi ? v : hi; e += d * d / AREA; }
    return 10 * log10((hi - lo) * (hi - lo) / e);
}
static double ssim(const float *x, const float *ref)
{
    double s = 0;
    (void)nrx_ct_ssim(N, N, NRX_F32, x, ref, 1.0, 0, NULL, &s);
    return s;
}
static const float *reference;
static double watch(void *u, const float *x) { (void)u; return psnr(x, reference); }

/* ---- reconstruction with a regularizer; final and best PSNR ---- */

static double variational(nrx_functional *f, double lambda, double mu, const float *y, const float *truth, size_t iterations, float *x, double *best)
{
    nrx_net_recon_desc d = NRX_ZERO;
    nrx_net_recon_info info;
    (void)nrx_net_functional_rescale(f, lambda, mu);
    fbp(y, x);
    d.max_iter = iterations;
    d.nonnegative = 1;
    d.tol = 1e-5;
    if (f->lip == 0) d.method = NRX_SOLVE_NMAPG;
    reference = truth;
    if (best) d.measure = watch;
    (void)nrx_net_reconstruct(&op, y, f, x, &d, &info);
    if (best) *best = info.best;
    return psnr(x, truth);
}

/* Best (lambda, mu) on the validation images. */
static void tune(nrx_functional *f, const double *lambdas, size_t nl, const double *mus, size_t nm, size_t iterations, double *lambda, double *mu)
{
    float y[DATA], x[AREA];
    size_t a, b, i;
    double top = -1e9;
    for (b = 0; b < nm; b++) {
        double last = -1e9;
        for (a = 0; a < nl; a++) {
            double p = 0;
            for (i = 0; i < VAL; i++) { scan(val + i * AREA, 5000 + i, y); p += variational(f, lambdas[a], mus[b], y, val + i * AREA, iterations, x, NULL) / VAL; }
            if (p > top) { top = p; *lambda = lambdas[a]; *mu = mus[b]; }
            if (p < last - 0.5) break; /* past the maximum */
            last = p;
        }
    }
}

static double tv_run(double lambda, const float *y, float *x)
{
    float full[DATA];
    nrx_ct_solver d = NRX_ZERO;
    size_t i;
    for (i = 0; i < DATA; i++) full[i] = y[i] * (float)op_norm; /* 1/2|Ax-b|^2 scales by norm^2 */
    d.lambda = lambda * op_norm * op_norm;
    d.iterations = 400;
    d.box = NRX_CT_LOWER;
    (void)nrx_ct_tv(&geo, full, x, &d);
    return lambda;
}

/* ---- training data from the scan ---- */

static size_t train_seed;
static nrx_status critic_pairs(void *user, nrx_rng *r, size_t n, float *clean, float *noisy)
{
    size_t i, k, j;
    int kind = user ? 1 : 0;
    float y[DATA], g[AREA], t[DATA];
    for (i = 0; i < n; i++) {
        float *x = noisy + i * AREA;
        memcpy(clean + i * AREA, train[train_seed] + (size_t)nrx_rng_below(r, TRAIN) * AREA, AREA * sizeof(float));
        scan(clean + i * AREA, nrx_rng_u64(r), y);
        fbp(y, x);
        if (kind) for (k = 0; k < 10; k++) { /* ten Landweber steps (the original AR's "Mini") */
            (void)op.apply(op.user, x, t);
            for (j = 0; j < DATA; j++) t[j] -= y[j];
            (void)op.adjoint(op.user, t, g);
            for (j = 0; j < AREA; j++) x[j] -= g[j];
        }
    }
    return NRX_OK;
}
static nrx_status data_pairs(void *user, nrx_rng *r, size_t n, float *clean, float *noisy) /* input: data */
{
    size_t i;
    (void)user;
    for (i = 0; i < n; i++) {
        memcpy(clean + i * AREA, train[train_seed] + (size_t)nrx_rng_below(r, TRAIN) * AREA, AREA * sizeof(float));
        scan(clean + i * AREA, nrx_rng_u64(r), noisy + i * DATA);
    }
    return NRX_OK;
}

/* ---- results ---- */

static double res[METHODS][SEEDS * TEST], res_best[METHODS][SEEDS * TEST], res_ssim[METHODS][SEEDS * TEST], seconds[METHODS];
static int have[METHODS];
static char proof[METHODS][100];
static int failures;

static void table(const char *title, size_t n, int check)
{
    int m;
    printf("\n%s (%lu test images)\n%-8s %7s %7s %6s %6s %16s %8s  %s\n", title, (unsigned long)n, "method", "final", "best", "gap", "SSIM", "minus TV (s.e.)", "train s", "certificate");
    for (m = 0; m < METHODS; m++) {
        double a = 0, b = 0, s = 0, d = 0, v = 0;
        size_t i;
        if (!have[m]) continue;
        for (i = 0; i < n; i++) { a += res[m][i] / (double)n; b += res_best[m][i] / (double)n; s += res_ssim[m][i] / (double)n; d += (res[m][i] - res[M_TV][i]) / (double)n; }
        for (i = 0; i < n; i++) { double e = res[m][i] - res[M_TV][i] - d; v += e * e; }
        v = sqrt(v / (double)(n - 1) / (double)n);
        printf("%-8s %7.2f %7.2f %6.2f %6.3f %+8.2f (%.2f) %9.1f  %s\n", names[m], a, b, b - a, s, d, v, seconds[m], proof[m]);
        if (check && m == M_CRR && d < 2 * v) { failures++; printf("  CRR is not above TV by two standard errors\n"); }
    }
    fflush(stdout);
}

static void record(int m, size_t at, const float *x, const float *truth, double best)
{
    res[m][at] = psnr(x, truth);
    res_best[m][at] = best > res[m][at] ? best : res[m][at];
    res_ssim[m][at] = ssim(x, truth);
    have[m] = 1;
}

static void certify(int m, const nrx_net *net)
{
    nrx_net_report r;
    if (nrx_net_certify(net, N, N, &r) == NRX_OK) { memcpy(proof[m], r.text, sizeof proof[m]); proof[m][60] = 0; }
}

static const double grid_lambda[8] = {0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32}, grid_mu[4] = {1, 2, 4, 8};

static void unsupervised(int m, nrx_net **net, size_t seeds)
{
    double lambda = 0, mu = 1, t;
    size_t s, i;
    static const double big_lambda[6] = {0.005, 0.01, 0.02, 0.04, 0.08, 0.16};
    float y[DATA], x[AREA];
    for (s = 0; s < seeds; s++) {
        nrx_functional f;
        if (nrx_net_functional(net[s], N, N, NULL, &f) != NRX_OK) return;
        if (s == 0) { t = now(); tune(&f, m == M_CRR || m == M_WCRR ? grid_lambda : big_lambda, m == M_CRR || m == M_WCRR ? 8 : 6, grid_mu, 4, 150, &lambda, &mu); printf("%s: lambda %g mu %g (%.0f s)\n", names[m], lambda, mu, now() - t); }
        for (i = 0; i < TEST; i++) {
            double best;
            scan(test[s] + i * AREA, 1000 * (s + 1) + i, y);
            (void)variational(&f, lambda, mu, y, test[s] + i * AREA, 400, x, &best);
            record(m, s * TEST + i, x, test[s] + i * AREA, best);
        }
        nrx_net_functional_free(&f);
    }
    certify(m, net[0]);
}

/* A critic: lambda from the rule lambda_0 = E|A^T e| and its multiples, on validation. */
static void critic(int m, nrx_net **net, size_t seeds, size_t iterations)
{
    double lambda = 0, mu = 1, l0 = 0, grid[8];
    float y[DATA], z[DATA], g[AREA], x[AREA];
    size_t s, i, k;
    for (i = 0; i < VAL; i++) {
        double n2 = 0;
        scan(val + i * AREA, 5000 + i, y);
        (void)op.apply(op.user, val + i * AREA, z);
        for (k = 0; k < DATA; k++) z[k] -= y[k];
        (void)op.adjoint(op.user, z, g);
        for (k = 0; k < AREA; k++) n2 += (double)g[k] * (double)g[k];
        l0 += sqrt(n2) / VAL;
    }
    for (k = 0; k < 8; k++) grid[k] = l0 * pow(2, (double)k - 4);
    for (s = 0; s < seeds; s++) {
        nrx_functional f;
        if (nrx_net_functional(net[s], N, N, NULL, &f) != NRX_OK) return;
        if (s == 0) { tune(&f, grid, 8, &mu, 1, iterations, &lambda, &mu); printf("%s: lambda %.3g = %.3g lambda_0\n", names[m], lambda, lambda / l0); }
        for (i = 0; i < TEST; i++) {
            double best;
            scan(test[s] + i * AREA, 1000 * (s + 1) + i, y);
            (void)variational(&f, lambda, 1, y, test[s] + i * AREA, iterations, x, &best);
            record(m, s * TEST + i, x, test[s] + i * AREA, best);
        }
        nrx_net_functional_free(&f);
    }
    certify(m, net[0]);
}

static nrx_net *train_critic(int m, size_t s)
{
    nrx_net_icnn_desc d = NRX_ZERO, image = NRX_ZERO;
    nrx_net_unrolled_desc u = NRX_ZERO;
    nrx_net_train_desc t = NRX_ZERO;
    nrx_net_train_info info;
    nrx_net *net = NULL;
    double start = now();
    d.layers = 3; d.channels = 8; d.seed = s; d.unconstrained = m == M_AR;
    d.quadratic = m == M_AR ? 0 : 1e-4; d.filter_bank = m == M_ACR ? 1 : 0;
    d.activation = m == M_ACNCR ? NRX_NET_SOFTPLUS : 0; d.activation_a = m == M_ACNCR ? 20 : 0;
    if (m == M_AWCR) (void)nrx_net_iwcnn(&d, &net);
    else if (m == M_ACNCR) {
        image = d;
        d.layers = 2; d.quadratic = 0;
        u.op = &op; u.height = N; u.width = N; u.data_height = VIEWS; u.data_width = BINS;
        (void)nrx_net_acncr(&u, &d, &image, &net);
    } else (void)nrx_net_icnn(&d, &net);
    train_seed = s;
    t.loss = NRX_NET_LOSS_CRITIC; t.data.pairs = critic_pairs; t.data.user = &train_seed; t.height = N; t.width = N; t.batch = 2; t.steps = 1000; t.rate = 1e-3; t.beta1 = 0.5;
    t.two_sided = m != M_AWCR && m != M_AR; t.clip = 10; t.seed = s + 1;
    (void)nrx_net_train(net, &t, &info);
    seconds[m] = now() - start;
    return net;
}

static nrx_net *train_ridge(int m, size_t s)
{
    nrx_net_crr_desc d = NRX_ZERO;
    nrx_net_train_desc t = NRX_ZERO;
    nrx_net_train_info info;
    nrx_net *net;
    double start = now();
    d.seed = s;
    if ((m == M_CRR ? nrx_net_crr(&d, &net) : nrx_net_wcrr(&d, &net)) != NRX_OK) exit(1);
    t.seed = s + 1;
    (void)nrx_net_train_scores(net, train[s], TRAIN, N, N, &t, &info);
    seconds[m] = now() - start;
    printf("%s seed %lu: denoising ratio %.3f, %.1f s\n", names[m], (unsigned long)s, info.ratio, seconds[m]);
    fflush(stdout);
    return net;
}

static void supervised(int m, size_t seeds)
{
    size_t s, i;
    for (s = 0; s < seeds; s++) {
        nrx_net_cnn_desc c = NRX_ZERO;
        nrx_net_unrolled_desc u = NRX_ZERO;
        nrx_net_train_desc t = NRX_ZERO;
        nrx_net_train_info info;
        nrx_net_plan_desc pd = NRX_ZERO;
        nrx_net_plan *p;
        nrx_net *net;
        double start = now();
        float y[DATA], x[AREA], in[AREA];
        train_seed = s;
        c.channels = 12; c.seed = s; c.init_scale = 0.1;
        u.op = &op; u.height = N; u.width = N; u.data_height = VIEWS; u.data_width = BINS; u.iterations = 5; u.channels = 12; u.memory = 4; u.seed = s;
        if (m == M_UNET) (void)nrx_net_unet(&c, &net);
        else (void)nrx_net_lpd(&u, &net);
        t.predict = NRX_NET_PREDICT_OUTPUT; t.data.pairs = m == M_UNET ? critic_pairs : data_pairs; t.batch = 4; t.steps = m == M_UNET ? 2500 : 1500; t.rate = 2e-3; t.seed = s + 1; t.clip = 1;
        t.height = m == M_UNET ? N : VIEWS; t.width = m == M_UNET ? N : BINS;
        (void)nrx_net_train(net, &t, &info);
        seconds[m] = now() - start;
        pd.height = t.height; pd.width = t.width;
        if (nrx_net_plan_create(net, &pd, &p) != NRX_OK) return;
        for (i = 0; i < TEST; i++) {
            scan(test[s] + i * AREA, 1000 * (s + 1) + i, y);
            if (m == M_UNET) fbp(y, in);
            (void)nrx_net_forward(p, m == M_UNET ? in : y, x);
            record(m, s * TEST + i, x, test[s] + i * AREA, 0);
        }
        nrx_net_plan_free(p);
        nrx_net_free(net);
    }
    strcpy(proof[m], "none (supervised)");
}

static nrx_net_plan *lpn_plan;
static nrx_status lpn_denoise(void *user, const float *in, float *out)
{
    nrx_status s = nrx_net_forward(lpn_plan, in, NULL);
    (void)user;
    return s == NRX_OK ? nrx_net_backward(lpn_plan, NULL, out, NULL) : s;
}

static void lpn(size_t seeds)
{
    size_t s, i;
    for (s = 0; s < seeds; s++) {
        nrx_net_icnn_desc d = NRX_ZERO;
        nrx_net_train_desc t = NRX_ZERO;
        nrx_net_train_info info;
        nrx_net_plan_desc pd = NRX_ZERO;
        nrx_net_recon_desc rd = NRX_ZERO;
        nrx_net_recon_info ri;
        nrx_net *net;
        double start = now();
        float y[DATA], x[AREA];
        d.layers = 3; d.channels = 16; d.activation = NRX_NET_SOFTPLUS; d.activation_a = 10; d.sum = 1; d.quadratic = 0.3; d.seed = s;
        if (nrx_net_icnn(&d, &net) != NRX_OK) return;
        t.data.images = train[s]; t.data.count = TRAIN; t.data.height = t.data.width = N; t.predict = NRX_NET_PREDICT_GRADIENT; t.sigma_max = 0.05; t.steps = 800; t.loss = NRX_NET_LOSS_L1; t.seed = s + 1; t.rate = 2e-3;
        (void)nrx_net_train(net, &t, &info);
        t.loss = NRX_NET_LOSS_PROXIMAL; t.gamma = 0.05; t.first_step = 0; t.steps = 800; t.rate = 5e-4;
        (void)nrx_net_train(net, &t, &info);
        seconds[M_LPN] = now() - start;
        pd.height = pd.width = N; pd.mode = NRX_NET_GRADIENT;
        if (nrx_net_plan_create(net, &pd, &lpn_plan) != NRX_OK) return;
        rd.max_iter = 100; rd.measure = watch; rd.step = 1; rd.tol = 1e-4;
        for (i = 0; i < TEST; i++) {
            scan(test[s] + i * AREA, 1000 * (s + 1) + i, y);
            fbp(y, x);
            reference = test[s] + i * AREA;
            (void)nrx_net_pnp(&op, y, lpn_denoise, NULL, x, &rd, &ri);
            record(M_LPN, s * TEST + i, x, test[s] + i * AREA, ri.best);
        }
        if (s == 0) certify(M_LPN, net);
        nrx_net_plan_free(lpn_plan);
        nrx_net_free(net);
    }
}

int main(int argc, char **argv)
{
    static const char *const kinds[3] = {"textured 0.04", "textured 0.12", "piecewise-constant ellipses"};
    int tier = argc > 1 && strcmp(argv[1], "tier1") == 0 ? 1 : argc > 1 && strcmp(argv[1], "tier2") == 0 ? 2 : 3, kind, angle, level, m;
    size_t seeds = argc > 2 ? (size_t)atoi(argv[2]) : SEEDS, s, i;
    int only = argc > 3 ? atoi(argv[3]) : -1, only_angle = argc > 4 ? atoi(argv[4]) : -1;
    if (seeds < 1 || seeds > SEEDS) seeds = SEEDS;
    for (kind = 0; kind < 3; kind++) {
        nrx_net *crr[SEEDS], *wcrr[SEEDS];
        if (only >= 0 && kind != only) continue;
        for (i = 0; i < VAL; i++) phantom(kind, 77, i, val + i * AREA);
        for (s = 0; s < seeds; s++) {
            for (i = 0; i < TRAIN; i++) phantom(kind, 100 + s, i, train[s] + i * AREA);
            for (i = 0; i < TEST; i++) phantom(kind, 200 + s, i, test[s] + i * AREA);
            crr[s] = train_ridge(M_CRR, s);
            wcrr[s] = train_ridge(M_WCRR, s);
        }
        for (angle = 0; angle < 2; angle++)
            for (level = 0; level < (tier == 2 ? 1 : 2); level++) {
                char title[160];
                double lambda = 0, top = -1e9, upper;
                float y[DATA], x[AREA];
                if (only_angle >= 0 && angle != only_angle) continue;
                geo = nrx_ct_parallel(N, N, VIEWS, BINS);
                if (angle) geo.step = 2 * NRX_PI / 3 / VIEWS;
                if (nrx_ct_linop(&geo, &raw) != NRX_OK || nrx_ct_norm(&geo, 30, &op_norm, &upper) != NRX_OK) return 1;
                op_norm *= 1.001;
                op.apply = scaled_apply; op.adjoint = scaled_adjoint; op.rows = DATA; op.cols = AREA; op.dtype = NRX_F32; op.norm = 1;
                noise_level = level ? 0.02 : 0.05;
                memset(have, 0, sizeof have);
                memset(proof, 0, sizeof proof);
                for (m = 0; m < 12; m++) { /* TV: lambda on validation */
                    double l = 0.0001 * pow(2, 0.5 * m), p = 0;
                    for (i = 0; i < VAL; i++) { scan(val + i * AREA, 5000 + i, y); (void)tv_run(l, y, x); p += psnr(x, val + i * AREA) / VAL; }
                    if (p > top) { top = p; lambda = l; }
                }
                for (s = 0; s < seeds; s++)
                    for (i = 0; i < TEST; i++) {
                        const float *truth = test[s] + i * AREA;
                        scan(truth, 1000 * (s + 1) + i, y);
                        fbp(y, x);
                        record(M_FBP, s * TEST + i, x, truth, 0);
                        (void)tv_run(lambda, y, x);
                        record(M_TV, s * TEST + i, x, truth, 0);
                    }
                printf("TV: lambda %g\n", lambda);
                strcpy(proof[M_TV], "convex");
                unsupervised(M_CRR, crr, seeds);
                unsupervised(M_WCRR, wcrr, seeds);
                if (tier >= 2) {
                    static const int critics[4] = {M_ACR, M_AR, M_AWCR, M_ACNCR};
                    if (level == 0) {
                        supervised(M_LPD, seeds);
                        supervised(M_UNET, seeds);
                        for (m = 0; m < 4; m++) {
                            nrx_net *c[SEEDS];
                            for (s = 0; s < seeds; s++) c[s] = train_critic(critics[m], s);
                            critic(critics[m], c, seeds, 250);
                            for (s = 0; s < seeds; s++) nrx_net_free(c[s]);
                        }
                        lpn(seeds);
                    }
                }
                sprintf(title, "%s, %s, %g %% noise", kinds[kind], angle ? "limited angle (120 degrees)" : "sparse view", 100 * noise_level);
                table(title, seeds * TEST, kind < 2);
                nrx_ct_linop_free(&raw);
            }
        for (s = 0; s < seeds; s++) { nrx_net_free(crr[s]); nrx_net_free(wcrr[s]); }
    }
    printf("%d tier-1 failures\n", failures);
    return failures != 0;
}
