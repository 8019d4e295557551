/* SPDX-License-Identifier: MIT-0 OR Unlicense
   A million random segments per certified network: R(a x + (1-a) y) <= a R(x) + (1-a) R(y) + rho/2 a (1-a) |x-y|^2 up to rounding, for convex
   networks (rho = 0), strongly convex ones (rho = -mu) and weakly convex ones with their proven rho. Segments are short and long, of noise and of
   edges, and a fifth of them starts where the last one came closest to a contradiction. Prints the worst ratio and a lower bound of rho.
   An argument sets the number of segments. */
#include "../nrx_test.h"
#ifndef SEGMENTS
#define SEGMENTS 1000000
#endif
#define NRX_NETS_IMPLEMENTATION
#include "nrx_nets.h"

enum { N = 7, AREA = N * N };
static nrx_test_rng rng = {20260101};

static void point(float *x, double scale)
{
    int i, kind = (int)nrx_test_below(&rng, 3), at = (int)nrx_test_below(&rng, N);
    double a = nrx_test_signed(&rng), b = nrx_test_signed(&rng);
    for (i = 0; i < AREA; i++)
        x[i] = (float)(scale * (kind == 0 ? nrx_test_signed(&rng) : kind == 1 ? (i % N < at ? a : b) : (i / N < at ? a : b) + 0.1 * nrx_test_signed(&rng)));
}

static void segments(nrx_net *net, const char *name, double scale, long count)
{
    nrx_functional f;
    nrx_net_report r;
    float x[AREA], y[AREA], z[AREA], worst_x[AREA], worst_y[AREA];
    double fx, fy, fz, worst = -HUGE_VAL, seen = -HUGE_VAL;
    long k, broken = 0;
    int i;
    CHECK(nrx_net_certify(net, N, N, &r) == NRX_OK && r.convexity != 0 && nrx_net_functional(net, N, N, NULL, &f) == NRX_OK);
    memset(worst_x, 0, sizeof worst_x);
    memset(worst_y, 0, sizeof worst_y);
    for (k = 0; k < count; k++) {
        double a = k % 2 ? 0.5 : nrx_test_uniform(&rng), size = scale * pow(10, -2 * nrx_test_uniform(&rng)), d2 = 0, bound, tol, excess;
        if (k % 5 == 4) {
            for (i = 0; i < AREA; i++) { x[i] = worst_x[i] + (float)(0.1 * size * nrx_test_signed(&rng)); y[i] = worst_y[i] + (float)(0.1 * size * nrx_test_signed(&rng)); }
        } else { point(x, scale); point(y, k % 3 ? size : scale); if (k % 3) for (i = 0; i < AREA; i++) y[i] += x[i]; }
        for (i = 0; i < AREA; i++) { double d = (double)x[i] - (double)y[i]; d2 += d * d; z[i] = (float)(a * (double)x[i] + (1 - a) * (double)y[i]); }
        if (f.eval(f.user, x, &fx, NULL) != NRX_OK || f.eval(f.user, y, &fy, NULL) != NRX_OK || f.eval(f.user, z, &fz, NULL) != NRX_OK) { CHECK(!"eval"); break; }
        tol = 4e-6 * (fabs(fx) + fabs(fy) + 1e-3); /* f32 evaluation of three values */
        excess = fz - a * fx - (1 - a) * fy;
        bound = 0.5 * (r.rho - r.mu) * a * (1 - a) * d2;
        if (excess > bound + tol) broken++;
        if (d2 > 0) {
            double rho = 2 * (excess - tol) / (a * (1 - a) * d2);
            if (rho > seen) seen = rho;
            if (excess - bound > worst) { worst = excess - bound; memcpy(worst_x, x, sizeof x); memcpy(worst_y, y, sizeof y); }
        }
    }
    printf("%-28s %ld segments, %ld broken; modulus proven %.4g, seen at least %.4g\n", name, count, broken, r.rho - r.mu, seen);
    CHECK(broken == 0);
    nrx_net_functional_free(&f);
    nrx_net_free(net);
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? atol(argv[1]) : SEGMENTS;
    nrx_net_icnn_desc d = NRX_ZERO;
    nrx_net_crr_desc c = NRX_ZERO;
    nrx_net *n = NULL;
    size_t i;
    c.filters = 4; c.kernel = 3;
    CHECK(nrx_net_crr(&c, &n) == NRX_OK); segments(n, "CRR", 0.3, count);
    CHECK(nrx_net_wcrr(&c, &n) == NRX_OK); segments(n, "WCRR", 0.3, count);
    d.layers = 3; d.channels = 3; d.kernel = 3;
    CHECK(nrx_net_icnn(&d, &n) == NRX_OK); segments(n, "ICNN, leaky ReLU", 1, count);
    d.filter_bank = 1; d.quadratic = 0.02;
    CHECK(nrx_net_icnn(&d, &n) == NRX_OK); segments(n, "ACR, strongly convex", 1, count);
    d.filter_bank = 0; d.quadratic = 0; d.sum = 1; d.init = 0.5;
    CHECK(nrx_net_iwcnn(&d, &n) == NRX_OK); segments(n, "IWCNN", 1, count);
    d.activation = NRX_NET_SOFTPLUS; d.activation_a = 5;
    CHECK(nrx_net_idcnn(&d, &n) == NRX_OK); segments(n, "IDCNN", 1, count);
    /* the check has power: the same ICNN with signs in its hidden weights breaks it */
    rng.s = 4321;
    CHECK(nrx_net_icnn(&d, &n) == NRX_OK);
    {
        nrx_param list[20] = {{0}};
        nrx_functional f;
        float x[AREA], y[AREA], z[AREA];
        double fx, fy, fz;
        size_t params = nrx_net_params(n, list, 20), k;
        long t, broken = 0;
        for (i = 0; i < params; i++) if (strstr(list[i].name, "wz") || strstr(list[i].name, "final"))
            for (k = 0; k < list[i].rows * list[i].cols; k++) ((float *)list[i].value)[k] = (float)(2 * nrx_test_signed(&rng));
        CHECK(nrx_net_functional(n, N, N, NULL, &f) == NRX_OK);
        for (t = 0; t < 5000; t++) {
            point(x, 1); point(y, 1);
            for (i = 0; i < AREA; i++) z[i] = 0.5f * (x[i] + y[i]);
            if (f.eval(f.user, x, &fx, NULL) == NRX_OK && f.eval(f.user, y, &fy, NULL) == NRX_OK && f.eval(f.user, z, &fz, NULL) == NRX_OK)
                broken += fz > 0.5 * (fx + fy) + 4e-6 * (fabs(fx) + fabs(fy) + 1e-3);
        }
        printf("control, signed weights: %ld of 5000 broken\n", broken);
        CHECK(broken > 0);
        nrx_net_functional_free(&f);
        nrx_net_free(n);
    }
    return nrx_test_end();
}
