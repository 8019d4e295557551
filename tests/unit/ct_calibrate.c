/* Derivatives by geometry parameters against central differences; an offset found from noisy data.
   SPDX-License-Identifier: MIT-0 OR Unlicense */
#include "nrx_test.h"
#define NRX_CT_IMPLEMENTATION
#include "nrx_ct.h"

#define SHOW (getenv("NRX_TEST_SHOW") != NULL)
enum { N = 64, VIEWS = 30, BINS = 95 };
static double image[N * N], zero[VIEWS * BINS], residual[VIEWS * BINS], y[VIEWS * BINS], plus[VIEWS * BINS], minus[VIEWS * BINS];

/* Ten base points each. Joseph's kernel has a kink where a ray meets a pixel centre: rays whose second difference shows one within the
   step (some in a thousand) are left out on both sides of the comparison, and the worst base point is dropped. */
static void derivatives(int fan)
{
    nrx_test_rng r = {77};
    double worst[NRX_CT_BY_TILT + 1][10];
    int q, point, i, j;
    for (i = 0; i < N; i++)
        for (j = 0; j < N; j++)
            image[i * N + j] = exp(-((i - 30) * (i - 30) + (j - 36) * (j - 36)) / 300.0) + 0.5 * exp(-((i - 40) * (i - 40) + (j - 20) * (j - 20)) / 250.0);
    for (point = 0; point < 10; point++) {
        nrx_ct_geometry g = nrx_ct_parallel(N, N, VIEWS, BINS);
        double grad[NRX_CT_PARAMETERS];
        if (fan) g = nrx_ct_fan_flat(N, N, VIEWS, BINS, 150 + 20 * nrx_test_uniform(&r), 230 + 20 * nrx_test_uniform(&r), 1.3);
        g.dtype = NRX_F64;
        g.start = nrx_test_uniform(&r);
        g.offset = 3 * nrx_test_signed(&r);
        g.axis_shift = 3 * nrx_test_signed(&r);
        g.tilt = 0.1 * nrx_test_signed(&r);
        { /* data of a scan that differs in everything: the residual weighs the rays */
            nrx_ct_geometry other = g;
            other.start += 0.1;
            other.offset += 1.5;
            other.sod += 9;
            other.sdd -= 9;
            other.tilt += 0.3;
            CHECK(nrx_ct_project(&other, image, residual) == NRX_OK && nrx_ct_project(&g, image, zero) == NRX_OK);
            for (i = 0; i < VIEWS * BINS; i++) residual[i] = zero[i] - residual[i];
        }
        for (q = 0; q <= NRX_CT_BY_TILT; q++) {
            nrx_ct_geometry up = g, down = g;
            double h = q == NRX_CT_BY_ANGLE || q == NRX_CT_BY_TILT ? 3e-6 : 1e-5, central = 0, scale = 0; /* below, rounding shows */
            int kinks = 0;
            worst[q][point] = 0;
            if (!fan && (q == NRX_CT_BY_SOD || q == NRX_CT_BY_SDD)) continue;
            CHECK(nrx_ct_geometry_move(&up, q, h) == NRX_OK && nrx_ct_geometry_move(&down, q, -h) == NRX_OK);
            CHECK(nrx_ct_project(&up, image, plus) == NRX_OK && nrx_ct_project(&down, image, minus) == NRX_OK);
            for (i = 0; i < VIEWS * BINS; i++) {
                int kink = fabs(plus[i] - 2 * zero[i] + minus[i]) > 1e-9;
                y[i] = kink ? 0 : residual[i];
                kinks += kink;
                central += y[i] * (plus[i] - minus[i]) / (2 * h);
                scale += fabs(y[i] * (plus[i] - minus[i])) / (2 * h); /* rays cancel: the error is relative to what was summed */
            }
            CHECK(kinks < VIEWS * BINS / 50);
            CHECK(nrx_ct_geometry_gradient(&g, image, y, grad, NULL) == NRX_OK);
            worst[q][point] = fabs(grad[q] - central) / scale;
        }
    }
    for (q = 0; q <= NRX_CT_BY_TILT; q++) {
        double first = 0, second = 0;
        for (i = 0; i < 10; i++) {
            double v = worst[q][i];
            if (v > first) { second = first; first = v; }
            else if (v > second) second = v;
        }
        CHECK(second < 1e-7);
        if (SHOW) printf("%s parameter %d: worst %.2e, second %.2e\n", fan ? "fan" : "parallel", q, first, second);
    }
}

static void offset(int fan)
{
    enum { M = 128, V = 180, B = 187 };
    static double sino[V * B];
    nrx_ct_geometry g = nrx_ct_parallel(M, M, V, B), h;
    nrx_ct_ellipse e[10];
    nrx_ct_noise noise = NRX_ZERO;
    double residual = 0, direct = 0;
    if (fan) g = nrx_ct_fan_flat(M, M, V, B, 300, 450, 1.5);
    g.dtype = NRX_F64;
    h = g;
    g.offset = 3.7;
    nrx_ct_shepp_logan(60, 1, e);
    {
        int i;
        for (i = 0; i < 10; i++) e[i].value *= 0.02; /* attenuation like tissue in mm */
    }
    CHECK(nrx_ct_ellipses_project(&g, e, 10, -1, sino) == NRX_OK);
    noise.photons = 20000;
    noise.seed = 4;
    CHECK(nrx_ct_add_poisson_noise(V * B, B, NRX_F64, sino, &noise) == NRX_OK);
    CHECK(nrx_ct_calibrate(&h, sino, 1u << NRX_CT_BY_OFFSET, 0, 0, &residual) == NRX_OK);
    CHECK_NEAR(h.offset, 3.7, 0.02);
    if (!fan) {
        CHECK(nrx_ct_find_offset(&g, sino, &direct) == NRX_OK);
        CHECK_NEAR(direct, 3.7, 0.05);
    }
    if (SHOW) printf("%s: offset %.4f, from the centre of mass %.4f, residual %.4f\n", fan ? "fan" : "parallel", h.offset, direct, residual);
}

int main(void)
{
    derivatives(0);
    derivatives(1);
    offset(0);
    offset(1);
    return nrx_test_end();
}
