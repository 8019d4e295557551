/* cc -O2 examples/nets_lpn.c -o nets_lpn -lm && ./nets_lpn
   SPDX-License-Identifier: MIT-0 OR Unlicense
   A learned proximal network finds a prior it was never told: trained by proximal matching on noisy samples of the Laplace distribution
   p(x) ~ exp(-|x|), its gradient becomes soft thresholding, the proximal map of |x|, and the prior behind it |x| itself. Trained with squared
   error instead it becomes the posterior mean. Writes nets_lpn.png.
// expect: certificate: (strongly convex|convex)
// expect: soft thresholding: largest error 0.[0-3]
*/
#define NRX_VERBOSE
#define NRX_NETS_IMPLEMENTATION
#include "../nrx_nets.h"
#include "draw.h"

static nrx_status laplace(void *user, nrx_rng *r, size_t n, float *clean, float *noisy)
{
    size_t i;
    (void)user;
    for (i = 0; i < n; i++) {
        double u = nrx_rng_uniform(r) - 0.5;
        clean[i] = (float)(u < 0 ? log(1 + 2 * u + 1e-12) : -log(1 - 2 * u + 1e-12));
        noisy[i] = clean[i] + (float)nrx_rng_normal(r);
    }
    return NRX_OK;
}

static int progress(void *user, size_t done, size_t total, double value)
{
    (void)user;
    if (done % 500 == 0 || done == total) fprintf(stderr, "\r  step %lu of %lu, error ratio %.3f ", (unsigned long)done, (unsigned long)total, value);
    if (done == total) fprintf(stderr, "\n");
    return 0;
}

/* Trains from scratch; 1 = proximal matching, 0 = squared error. */
static nrx_net *train(int matching)
{
    static const double gamma[4] = {0.8, 0.4, 0.2, 0.12};
    nrx_net_lpn_desc d = NRX_ZERO;
    nrx_net_train_desc t = NRX_ZERO;
    nrx_net *net;
    int stage;
    d.features = 50;
    d.strong = 0.01;
    if (nrx_net_lpn(&d, &net) != NRX_OK) return NULL;
    t.data.pairs = laplace;
    t.height = t.width = 1;
    t.batch = 512;
    t.predict = NRX_NET_PREDICT_GRADIENT;
    t.env.progress = progress;
    t.loss = matching ? NRX_NET_LOSS_L1 : NRX_NET_LOSS_L2;
    t.steps = 2000;
    t.rate = 5e-3;
    if (nrx_net_train(net, &t, NULL) != NRX_OK) return NULL;
    for (stage = 0; matching && stage < 4; stage++) {
        t.loss = NRX_NET_LOSS_PROXIMAL;
        t.gamma = gamma[stage];
        t.seed = (uint64_t)stage + 1;
        t.rate = 2e-3;
        if (nrx_net_train(net, &t, NULL) != NRX_OK) return NULL;
    }
    return net;
}

static void curve(nrx_net *net, size_t n, const double *x, double *f)
{
    nrx_net_plan_desc d = NRX_ZERO;
    nrx_net_plan *p;
    float *in = (float *)malloc(2 * n * sizeof *in);
    size_t i;
    d.n = n;
    d.mode = NRX_NET_GRADIENT;
    for (i = 0; i < n; i++) in[i] = (float)x[i];
    if (nrx_net_plan_create(net, &d, &p) == NRX_OK) {
        (void)nrx_net_forward(p, in, NULL);
        (void)nrx_net_backward(p, NULL, in + n, NULL);
        nrx_net_plan_free(p);
    }
    for (i = 0; i < n; i++) f[i] = (double)in[n + i];
    free(in);
}

int main(void)
{
    enum { POINTS = 121 };
    double x[POINTS], f[POINTS], mean[POINTS], soft[POINTS], absolute[POINTS], prior[POINTS], worst = 0, at0;
    float xf[POINTS];
    nrx_net *net, *mmse;
    nrx_net_report r;
    draw_canvas c;
    draw_plot plot;
    int i;
    net = train(1);
    mmse = train(0);
    if (!net || !mmse) return 1;
    for (i = 0; i < POINTS; i++) {
        x[i] = -3.0 + 6.0 * i / (POINTS - 1);
        soft[i] = x[i] > 1 ? x[i] - 1 : x[i] < -1 ? x[i] + 1 : 0;
        xf[i] = (float)(x[i] * 0.6);
        absolute[i] = fabs((double)xf[i]);
    }
    curve(net, POINTS, x, f);
    curve(mmse, POINTS, x, mean);
    for (i = 0; i < POINTS; i++) worst = fmax(worst, fabs(f[i] - soft[i]));
    if (nrx_net_certify(net, 0, 0, &r) == NRX_OK) printf("certificate: %s\n", r.text);
    printf("distance to soft thresholding: largest error %.3f on [-3, 3] (squared error instead: %.3f)\n", worst, fabs(mean[POINTS / 2 + 20] - soft[POINTS / 2 + 20]));
    if (nrx_net_lpn_prior(net, POINTS, xf, 1e-4, 4000, prior) != NRX_OK) return 1;
    at0 = prior[POINTS / 2];
    for (i = 0; i < POINTS; i++) prior[i] -= at0; /* the prior is known up to a constant */
    c = draw_new(900, 420, 0xffffff);
    plot = draw_axes(&c, 10, 10, 430, 400, -3, 3, -2.2, 2.2, DRAW_LINEAR, "what the network does", "y", "f(y)");
    draw_curve(&plot, POINTS, x, soft, 0x7f7f7f, "soft thresholding");
    draw_curve(&plot, POINTS, x, f, 0xd62728, "proximal matching");
    draw_curve(&plot, POINTS, x, mean, 0x1f77b4, "squared error");
    for (i = 0; i < POINTS; i++) x[i] = (double)xf[i];
    plot = draw_axes(&c, 455, 10, 430, 400, -1.8, 1.8, -0.2, 2, DRAW_LINEAR, "the prior behind it", "x", "R(x)");
    draw_curve(&plot, POINTS, x, absolute, 0x7f7f7f, "|x|");
    draw_curve(&plot, POINTS, x, prior, 0xd62728, "recovered");
    if (!draw_save(&c, "nets_lpn.png")) return 1;
    draw_free(&c);
    nrx_net_free(net);
    nrx_net_free(mmse);
    return 0;
}
