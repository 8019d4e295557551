/* cc -O2 examples/nets_theorem.c -o nets_theorem -lm && ./nets_theorem
   SPDX-License-Identifier: MIT-0 OR Unlicense
   Convergent regularization, seen: the noise halves, delta_k = 2^-k delta_0, the weight follows, lambda_k ~ sqrt(delta_k), and the reconstructions
   approach the noise-free solution for a convex ridge regularizer, the adversarial-convex one with filter bank and quadratic (ACR), the
   convex-nonconvex one (ACNCR, its first weight set from the proven modulus so that lambda rho <= 1) and plug-and-play with a linear denoiser
   and its spectral filter. The control: primal-dual steps with a weakly convex regularizer settle while tau lambda rho < 1 and do not when
   it is far above 1. Writes nets_theorem.png.
// expect: CRR: .*falls
// expect: ACR: .*falls
// expect: ACNCR: .*lambda rho .*: falls
// expect: linear PnP: .*falls
// expect: primal-dual: settles, .*the control does not settle
*/
#define NRX_VERBOSE
#define NRX_NETS_IMPLEMENTATION
#include "../nrx_nets.h"
#include "draw.h"

enum { N = 24, AREA = N * N, LEVELS = 9, STEPS = 120 };

/* A periodic blur, symmetric, singular values 0.2 to 1: invertible, so that the noise-free solution is the image itself. */
static nrx_status blur(void *user, const void *x, void *y)
{
    const float *in = (const float *)x;
    float *out = (float *)y;
    int i, j;
    (void)user;
    for (i = 0; i < N; i++)
        for (j = 0; j < N; j++)
            out[i * N + j] = 0.6f * in[i * N + j] + 0.1f * (in[i * N + (j + 1) % N] + in[i * N + (j + N - 1) % N] + in[(i + 1) % N * N + j] + in[(i + N - 1) % N * N + j]);
    return NRX_OK;
}

static double tau_now;
static nrx_status smooth(void *user, const float *in, float *out) { return blur(user, in, out); }
static nrx_status filtered(void *user, const float *in, float *out)
{
    static float work[4 * AREA];
    return nrx_net_linear_denoise(smooth, user, AREA, tau_now, in, out, work);
}

static double distance(const float *a, const float *b)
{
    double s = 0;
    int i;
    for (i = 0; i < AREA; i++) s += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sqrt(s);
}

/* Primal-dual steps (Chambolle and Pock) on |Ax-y|^2/2 + R(x), the proximal map of R by inner gradient steps; change[k] = |x_{k+1}-x_k|. */
static void primal_dual(const nrx_functional *r, const float *y, double tau, double *change)
{
    float x[AREA] = {0}, p[AREA] = {0}, bar[AREA] = {0}, v[AREA], u[AREA], g[AREA], t[AREA];
    double sigma = 0.9 / tau, step = 1.0 / (1.0 / tau + r->lip), d;
    int k, i, inner;
    for (k = 0; k < STEPS; k++) {
        (void)blur(NULL, bar, t);
        for (i = 0; i < AREA; i++) p[i] = (float)(((double)p[i] + sigma * ((double)t[i] - (double)y[i])) / (1 + sigma));
        (void)blur(NULL, p, t);
        for (i = 0; i < AREA; i++) u[i] = v[i] = x[i] - (float)tau * t[i];
        for (inner = 0; inner < 100; inner++) {
            if (r->eval(r->user, u, NULL, g) != NRX_OK) return;
            for (i = 0; i < AREA; i++) u[i] -= (float)(step * ((double)g[i] + ((double)u[i] - (double)v[i]) / tau));
        }
        for (i = 0, d = 0; i < AREA; i++) {
            d += ((double)u[i] - (double)x[i]) * ((double)u[i] - (double)x[i]);
            bar[i] = 2 * u[i] - x[i];
            x[i] = u[i];
        }
        change[k] = sqrt(d) + 1e-9;
    }
}

int main(void)
{
    static const char *const names[4] = {"CRR", "ACR", "ACNCR", "linear PnP"};
    static float clean[AREA], exact[AREA], direction[AREA], y[AREA], x[AREA], patches[40 * AREA];
    double delta[LEVELS], error[4][LEVELS], iteration[STEPS], settled[STEPS], control[STEPS], norm = 0;
    nrx_linop A = NRX_ZERO;
    nrx_net *net[4] = {NULL, NULL, NULL, NULL};
    nrx_net_icnn_desc d = NRX_ZERO, image;
    nrx_net_unrolled_desc u = NRX_ZERO;
    nrx_net_train_desc t = NRX_ZERO;
    nrx_net_report proof;
    nrx_functional f;
    nrx_rng r;
    draw_canvas c;
    draw_plot plot;
    int i, k, m;
    A.apply = A.adjoint = blur; A.rows = A.cols = AREA; A.dtype = NRX_F32; A.norm = 1;
    nrx_rng_seed(&r, 8, 0);
    for (k = 0; k <= 40; k++) { /* 40 training pieces, then the image */
        double a = 6 * nrx_rng_uniform(&r) + 4, cx = 12 + 6 * (nrx_rng_uniform(&r) - 0.5), cy = 12 + 6 * (nrx_rng_uniform(&r) - 0.5), w = nrx_rng_uniform(&r);
        float *to = k < 40 ? patches + k * AREA : clean;
        for (i = 0; i < AREA; i++) {
            double px = i % N - cx, py = i / N - cy;
            to[i] = (float)(px * px + py * py < a * a ? 0.5 + 0.02 * px + 0.1 * cos(w * px + py) : 0.1);
        }
    }
    (void)blur(NULL, clean, exact);
    for (i = 0; i < AREA; i++) { direction[i] = (float)nrx_rng_normal(&r); norm += (double)direction[i] * (double)direction[i]; }
    t.steps = 500;
    t.height = t.width = N;
    if (nrx_net_crr(NULL, &net[0]) != NRX_OK || nrx_net_train_scores(net[0], patches, 40, N, N, &t, NULL) != NRX_OK) return 1;
    d.layers = 3; d.channels = 6; d.kernel = 3; d.activation = NRX_NET_SOFTPLUS; d.activation_a = 20; d.quadratic = 0.05; d.filter_bank = 1; d.sum = 1; d.init = 0.05;
    if (nrx_net_icnn(&d, &net[1]) != NRX_OK || nrx_net_train_scores(net[1], patches, 40, N, N, &t, NULL) != NRX_OK) return 1;
    d.filter_bank = 0;
    image = d;
    d.quadratic = 0; d.layers = 2;
    u.op = &A; u.height = u.width = u.data_height = u.data_width = N;
    if (nrx_net_acncr(&u, &d, &image, &net[2]) != NRX_OK || nrx_net_train_scores(net[2], patches, 40, N, N, &t, NULL) != NRX_OK) return 1;
    for (m = 0; m < 4; m++) {
        int falls = 1;
        double first = 0.3;
        if (net[m] && nrx_net_certify(net[m], N, N, &proof) == NRX_OK) {
            printf("%s: %s\n", names[m], proof.text);
            if (m == 2) first = 1 / proof.rho < first ? 1 / proof.rho : first; /* |Ax-y|^2/2 makes up for R's concavity in Ax */
        }
        for (k = 0; k < LEVELS; k++) {
            nrx_net_recon_desc rd = NRX_ZERO;
            double lambda = first * pow(2, -0.5 * k);
            delta[k] = 2.0 * pow(2, -k);
            for (i = 0; i < AREA; i++) { y[i] = exact[i] + (float)(delta[k] / sqrt(norm)) * direction[i]; x[i] = 0; }
            rd.max_iter = 1000;
            rd.tol = 1e-6;
            tau_now = 0.2 * lambda;
            if (m == 3) { if (nrx_net_pnp(&A, y, filtered, NULL, x, &rd, NULL) != NRX_OK) return 1; }
            else {
                if (nrx_net_functional(net[m], N, N, NULL, &f) != NRX_OK || nrx_net_functional_rescale(&f, lambda, 1) != NRX_OK
                    || nrx_net_reconstruct(&A, y, &f, x, &rd, NULL) != NRX_OK) return 1;
                nrx_net_functional_free(&f);
            }
            error[m][k] = distance(x, clean);
            if (k && error[m][k] >= error[m][k - 1]) falls = 0;
        }
        printf("%s: |x_k - x*| from %.3f to %.4f while the noise falls from %.2f to %.4f", names[m], error[m][0], error[m][LEVELS - 1], delta[0], delta[LEVELS - 1]);
        if (m == 2) printf(", lambda rho <= %.2f", first * proof.rho);
        printf(": %s\n", falls ? "falls" : "does not fall");
    }
    nrx_net_free(net[0]);
    if (nrx_net_wcrr(NULL, &net[0]) != NRX_OK || nrx_net_train_scores(net[0], patches, 40, N, N, &t, NULL) != NRX_OK || nrx_net_functional(net[0], N, N, NULL, &f) != NRX_OK) return 1;
    for (i = 0; i < AREA; i++) y[i] = exact[i] + 0.02f * direction[i];
    primal_dual(&f, y, 0.5 / f.rho, settled);
    primal_dual(&f, y, 40 / f.rho, control);
    printf("primal-dual: %s, last change %.2g with tau lambda rho = 0.5; %.2g with 40, the control %s\n", settled[STEPS - 1] < 0.01 * settled[0] ? "settles" : "does not settle",
           settled[STEPS - 1], control[STEPS - 1], control[STEPS - 1] > 0.1 * control[0] ? "does not settle" : "settles");
    c = draw_new(900, 420, 0xffffff);
    plot = draw_axes(&c, 10, 10, 430, 400, 1e-3 * 5, 3, 1e-2, 10, DRAW_LOG_X | DRAW_LOG_Y, "convergent regularization", "noise", "|x - x*|");
    for (m = 0; m < 4; m++) draw_curve(&plot, LEVELS, delta, error[m], draw_palette[m], names[m]);
    for (k = 0; k < STEPS; k++) iteration[k] = k;
    plot = draw_axes(&c, 455, 10, 430, 400, 0, STEPS, 1e-7, 10, DRAW_LOG_Y, "primal-dual, weakly convex", "iteration", "|change|");
    draw_curve(&plot, STEPS, iteration, settled, draw_palette[0], "tau lambda rho = 0.5");
    draw_curve(&plot, STEPS, iteration, control, draw_palette[1], "tau lambda rho = 40");
    if (!draw_save(&c, "nets_theorem.png")) return 1;
    draw_free(&c);
    nrx_net_functional_free(&f);
    for (m = 0; m < 4; m++) nrx_net_free(net[m]);
    return 0;
}
