/* cc -O2 examples/nets_adversarial.c -o nets_adversarial -lm && ./nets_adversarial
   SPDX-License-Identifier: MIT-0 OR Unlicense
   Adversarial regularizers from generated phantoms: an input-convex network with a quadratic (ACR) and an input weakly convex one (IWCNN) learn to
   tell clean images from bad reconstructions of a sparse-view scan, and nothing else. The weight of each is searched around what the noise
   suggests on validation phantoms; then test phantoms are reconstructed, with the proof of what was learned printed, and the last iterate beside
   the best one. Writes nets_adversarial.png.
// expect: ACR: strongly convex
// expect: IWCNN: .*rho
// expect: ACR: .* dB, .* above FBP
// expect: IWCNN: .* dB, .* above FBP
*/
#define NRX_VERBOSE
#define NRX_CT_IMPLEMENTATION
#include "../nrx_ct.h"
#define NRX_NETS_IMPLEMENTATION
#include "../nrx_nets.h"
#include "draw.h"

enum { N = 48, AREA = N * N, VIEWS = 24, BINS = 71, DATA = VIEWS * BINS, VALID = 3, TEST = 6, STEPS = 200, FAR = 3 };
static nrx_ct_geometry geometry;
static nrx_linop raw, op; /* the projector, and the same with norm one */
static double unit;

static nrx_status apply(void *user, const void *x, void *y)
{
    nrx_status s = raw.apply(raw.user, x, y);
    int i;
    (void)user;
    for (i = 0; i < DATA; i++) ((float *)y)[i] *= (float)unit;
    return s;
}
static nrx_status adjoint(void *user, const void *y, void *x)
{
    nrx_status s = raw.adjoint(raw.user, y, x);
    int i;
    (void)user;
    for (i = 0; i < AREA; i++) ((float *)x)[i] *= (float)unit;
    return s;
}

/* A phantom, its noisy data and their filtered back projection. */
static nrx_status scan(nrx_rng *rng, float *truth, float *data, float *fbp)
{
    float full[DATA];
    double mean = 0;
    int i;
    nrx_status s = nrx_ct_phantom_textured(&geometry, nrx_rng_u32(rng), 0, 0.04, truth);
    if (s == NRX_OK) s = apply(NULL, truth, data);
    for (i = 0; i < DATA; i++) mean += fabs((double)data[i]) / DATA;
    for (i = 0; i < DATA; i++) { data[i] += (float)(0.05 * mean * nrx_rng_normal(rng)); full[i] = data[i] / (float)unit; }
    return s == NRX_OK ? nrx_ct_fbp(&geometry, full, fbp, NULL) : s;
}

/* Pairs of clean images and bad ones: on the line from the image through its FBP, as far again on the other side of FBP, since the data term alone
   amplifies noise beyond FBP and the regularizer must have been asked there. */
static nrx_status examples(void *user, nrx_rng *rng, size_t n, float *clean, float *noisy)
{
    float data[DATA], t;
    size_t i, k;
    nrx_status s = NRX_OK;
    (void)user;
    for (i = 0; s == NRX_OK && i < n; i++, clean += AREA, noisy += AREA) {
        s = scan(rng, clean, data, noisy);
        t = (float)(FAR * nrx_rng_uniform(rng));
        for (k = 0; k < AREA; k++) noisy[k] = clean[k] + t * (noisy[k] - clean[k]);
    }
    return s;
}

static const float *reference;
static double psnr(void *user, const float *x)
{
    double e = 0;
    int i;
    (void)user;
    for (i = 0; i < AREA; i++) e += ((double)x[i] - (double)reference[i]) * ((double)x[i] - (double)reference[i]) / AREA;
    return -10 * log10(e);
}

/* Reconstructs from FBP; the PSNR of the last iterate, and of the best one, which nothing is decided by. */
static double reconstruct(nrx_functional *r, const float *truth, const float *data, const float *fbp, float *x, double *best)
{
    nrx_net_recon_desc d = NRX_ZERO;
    nrx_net_recon_info info;
    reference = truth;
    d.max_iter = STEPS; d.nonnegative = 1; d.measure = psnr;
    memcpy(x, fbp, AREA * sizeof *x);
    if (nrx_net_reconstruct(&op, data, r, x, &d, &info) != NRX_OK) return -1e9;
    if (best) *best = info.best;
    return info.final;
}

int main(void)
{
    static const char *const names[2] = {"ACR", "IWCNN"};
    static float truth[VALID + TEST][AREA], data[VALID + TEST][DATA], fbp[VALID + TEST][AREA], out[2][AREA];
    double norm, upper, base = 0;
    nrx_rng rng;
    draw_canvas c = draw_new(20 + 4 * (4 * N + 10), 4 * N + 40, 0xffffff);
    char text[64];
    int m, i, k;
    geometry = nrx_ct_parallel(N, N, VIEWS, BINS);
    if (nrx_ct_linop(&geometry, &raw) != NRX_OK || nrx_ct_norm(&geometry, 30, &norm, &upper) != NRX_OK) return 1;
    unit = 1 / upper;
    op.apply = apply; op.adjoint = adjoint; op.rows = DATA; op.cols = AREA; op.dtype = NRX_F32; op.norm = 1;
    nrx_rng_seed(&rng, 2026, 1); /* training draws from other seeds */
    for (i = 0; i < VALID + TEST; i++) if (scan(&rng, truth[i], data[i], fbp[i]) != NRX_OK) return 1;
    for (i = VALID; i < VALID + TEST; i++) { reference = truth[i]; base += psnr(NULL, fbp[i]) / TEST; }
    printf("FBP: %.2f dB, mean of %d test phantoms, 5 %% noise, %d views\n", base, TEST, VIEWS);
    for (m = 0; m < 2; m++) {
        nrx_net *net = NULL;
        nrx_net_icnn_desc d = NRX_ZERO;
        nrx_net_train_desc t = NRX_ZERO;
        nrx_net_report proof;
        nrx_functional r;
        double suggested, weight, chosen = 0, top = -1e9, sum, mean = 0, best = 0, b;
        d.layers = 2; d.channels = 8; d.zero_mean = 1; d.activation = NRX_NET_SMOOTH_RELU; d.activation_a = 0.05;
        d.quadratic = 1e-4;
        if ((m ? nrx_net_iwcnn(&d, &net) : nrx_net_icnn(&d, &net)) != NRX_OK) return 1;
        t.loss = NRX_NET_LOSS_CRITIC; t.data.pairs = examples; t.height = N; t.width = N; t.batch = 2; t.steps = 500; t.rate = 1e-3; t.beta1 = 0.5;
        t.clip = 10; t.two_sided = 1; t.seed = 5;
        if (nrx_net_train(net, &t, NULL) != NRX_OK || nrx_net_certify(net, N, N, &proof) != NRX_OK) return 1;
        printf("%s: %s\n", names[m], proof.text);
        if (nrx_net_functional(net, N, N, NULL, &r) != NRX_OK || nrx_net_noise_weight(&op, VALID, truth[0], data[0], &r, &suggested) != NRX_OK) return 1;
        for (k = -2; k <= 2; k++) { /* on validation phantoms */
            if (nrx_net_functional_rescale(&r, suggested * pow(2, k), 1) != NRX_OK) return 1;
            for (i = 0, sum = 0; i < VALID; i++) sum += reconstruct(&r, truth[i], data[i], fbp[i], out[m], NULL) / VALID;
            if (sum > top) { top = sum; chosen = k; }
        }
        weight = suggested * pow(2, chosen);
        if (nrx_net_functional_rescale(&r, weight, 1) != NRX_OK) return 1;
        for (i = VALID + TEST - 1; i >= VALID; i--) { mean += reconstruct(&r, truth[i], data[i], fbp[i], out[m], &b) / TEST; best += b / TEST; }
        printf("%s: %.2f dB, %.2f %s FBP; the best iterate %.2f; weight %.3g (%.3g suggested)", names[m], mean, fabs(mean - base), mean > base ? "above" : "below", best, weight, suggested);
        if (proof.rho > 0) printf(", weight times rho %.3g", weight * proof.rho);
        printf("\n");
        nrx_net_functional_free(&r);
        nrx_net_free(net);
    }
    for (m = 0; m < 4; m++) {
        const float *x = m == 0 ? truth[VALID] : m == 1 ? fbp[VALID] : out[m - 2];
        reference = truth[VALID];
        if (m) sprintf(text, "%s %.1f dB", m == 1 ? "FBP" : names[m - 2], psnr(NULL, x));
        draw_text(&c, 10 + m * (4 * N + 10), 10, 1, 0, m ? text : "truth");
        draw_image(&c, 10 + m * (4 * N + 10), 30, 4, x, N, N, 0, 1, DRAW_GRAY);
    }
    if (!draw_save(&c, "nets_adversarial.png")) return 1;
    draw_free(&c);
    nrx_ct_linop_free(&raw);
    return 0;
}
