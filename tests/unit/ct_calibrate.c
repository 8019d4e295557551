/* Derivatives by geometry parameters against central differences; an offset found from noisy data.
   SPDX-License-Identifier: MIT-0 OR Unlicense */
#include "nrx_test.h"
#define NRX_CT_IMPLEMENTATION
#include "nrx_ct.h"

#define SHOW (getenv("NRX_TEST_SHOW") != NULL)
enum { N = 64, BINS = 3 };

/* <y, A(theta) x> with y >= 0 at ten base points each, central differences of step 1e-6, the worst point dropped. The image spans [-1, 1], so
   that a step moves rays by at most a few 1e-5 pixels. The kernel has a kink where a ray meets a pixel centre; three rays cross some 190
   lines, which makes a kink within the step as rare as one base point in a hundred. (A whole scan of 30 views of 95 bins has some in every
   step: there the difference quotient itself is off by 1e-6 to 1e-4.) The image is a wave under a bell, not a bell: projections of a bell are a
   thousand times their derivative, and one unit in their last place is then 1e-7 of the quotient. */
static void derivatives(int fan)
{
    static double image[N * N];
    nrx_test_rng r = {77};
    int q, point, i, j;
    for (i = 0; i < N; i++)
        for (j = 0; j < N; j++)
            image[i * N + j] = exp(-((i - 30) * (i - 30) + (j - 36) * (j - 36)) / 300.0) * sin(0.25 * i) * cos(0.2 * j + 1);
    for (q = 0; q <= NRX_CT_BY_TILT; q++) {
        double first = 0, second = 0;
        if (!fan && (q == NRX_CT_BY_SOD || q == NRX_CT_BY_SDD)) continue;
        for (point = 0; point < 10; point++) {
            nrx_ct_geometry g = nrx_ct_parallel(N, N, 1, BINS), up, down;
            double grad[NRX_CT_PARAMETERS], y[BINS], plus[BINS], minus[BINS], central = 0, e;
            if (fan) g = nrx_ct_fan_flat(N, N, 1, BINS, 4.7 + 0.6 * nrx_test_uniform(&r), 7.2 + 0.6 * nrx_test_uniform(&r), 1.3);
            g.dtype = NRX_F64;
            g.pixel = 2.0 / N;
            g.pitch *= 20 * g.pixel;
            g.start = 7 * nrx_test_uniform(&r);
            g.offset = 0.1 * nrx_test_signed(&r);
            g.axis_shift = 0.1 * nrx_test_signed(&r);
            g.tilt = 0.1 * nrx_test_signed(&r);
            for (i = 0; i < BINS; i++) y[i] = nrx_test_uniform(&r);
            up = down = g;
            CHECK(nrx_ct_geometry_move(&up, q, 1e-6) == NRX_OK && nrx_ct_geometry_move(&down, q, -1e-6) == NRX_OK);
            CHECK(nrx_ct_project(&up, image, plus) == NRX_OK && nrx_ct_project(&down, image, minus) == NRX_OK);
            CHECK(nrx_ct_geometry_gradient(&g, image, y, grad, NULL) == NRX_OK);
            for (i = 0; i < BINS; i++) central += y[i] * (plus[i] - minus[i]) / 2e-6;
            e = fabs(grad[q] - central) / fabs(grad[q]);
            if (e > first) { second = first; first = e; }
            else if (e > second) second = e;
        }
        CHECK(second < 1e-7);
        if (SHOW) printf("%s parameter %d: worst %.2e, second %.2e\n", fan ? "fan" : "parallel", q, first, second);
    }
}

/* A detector 3.7 bins off is found to 0.02 bins by a full-turn fan from 20000 photons per bin; by a parallel scan over 180 degrees, where opposite
   rays are missing and the bound of Cramer and Rao is about 0.01 for that dose, from 200000. */
static void offset(int fan)
{
    enum { M = 96, V = 120, B = 141 };
    static float sino[V * B];
    nrx_ct_geometry g = fan ? nrx_ct_fan_flat(M, M, V, B, 225, 337, 1.5) : nrx_ct_parallel(M, M, V, B), h = g;
    nrx_ct_ellipse e[10];
    nrx_ct_noise noise = NRX_ZERO;
    double residual = 0, direct = 0;
    int i;
    g.offset = 3.7 * g.pitch;
    nrx_ct_shepp_logan(45, 1, e);
    for (i = 0; i < 10; i++) e[i].value *= 0.027; /* attenuation like tissue */
    CHECK(nrx_ct_ellipses_project(&g, e, 10, -1, sino) == NRX_OK);
    noise.photons = fan ? 20000 : 200000;
    noise.seed = 4;
    CHECK(nrx_ct_add_poisson_noise(V * B, B, NRX_F32, sino, &noise) == NRX_OK);
    CHECK(nrx_ct_calibrate(&h, sino, 1u << NRX_CT_BY_OFFSET, 0, 0, &residual) == NRX_OK);
    CHECK_NEAR(h.offset / h.pitch, 3.7, 0.02);
    if (!fan) {
        CHECK(nrx_ct_find_offset(&g, sino, &direct) == NRX_OK);
        CHECK_NEAR(direct, 3.7, 0.05);
    }
    if (SHOW) printf("%s: offset %.4f, from the centre of mass %.4f, residual %.4f\n", fan ? "fan" : "parallel", h.offset / h.pitch, direct, residual);
}

int main(void)
{
    derivatives(0);
    derivatives(1);
    offset(0);
    offset(1);
    return nrx_test_end();
}
