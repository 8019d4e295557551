/* Filtered back projection and FDK: published quality, the value of a disc in every geometry, weights, windows, errors.
   SPDX-License-Identifier: MIT-0 OR Unlicense
   run: alloc threads */
#define NRX_TEST_POOL
#include "nrx_test.h"
#define NRX_CT_IMPLEMENTATION
#include "nrx_ct.h"
#include "nrx_test.h"

#define SHOW (getenv("NRX_TEST_SHOW") != NULL)

/* PSNR (range 1) of FBP from exact data over the whole image and the inscribed disc. */
static void quality(const char *name, const nrx_ct_geometry *g, int sub_rays, double full, double disc)
{
    size_t n = nrx_ct_image_size(g), i;
    float *x = (float *)malloc(n * sizeof *x), *r = (float *)malloc(n * sizeof *r), *b = (float *)malloc(nrx_ct_sino_size(g) * sizeof *b);
    unsigned char *mask = (unsigned char *)malloc(n);
    nrx_ct_ellipse e[10];
    double a = 0, c = 0, half = (double)g->rows / 2;
    if (!x || !r || !b || !mask) exit(2);
    nrx_ct_shepp_logan(half, 1, e);
    for (i = 0; i < n; i++) {
        double dx = (double)(i % g->cols) - half + 0.5, dy = (double)(i / g->cols) - half + 0.5;
        mask[i] = dx * dx + dy * dy <= half * half;
    }
    CHECK(nrx_ct_phantom_ellipses(g, e, 10, 0, x) == NRX_OK && nrx_ct_ellipses_project(g, e, 10, sub_rays, b) == NRX_OK);
    CHECK(nrx_ct_fbp(g, b, r, NULL) == NRX_OK);
    CHECK(nrx_ct_psnr(n, NRX_F32, r, x, 1, NULL, &a) == NRX_OK && nrx_ct_psnr(n, NRX_F32, r, x, 1, mask, &c) == NRX_OK);
    CHECK(a > full - 0.02);
    CHECK(c > disc - 0.02);
    if (SHOW) printf("%-22s %.2f / %.2f dB (asked %.2f / %.2f)\n", name, a, c, full, disc);
    free(x); free(r); free(b); free(mask);
}

static void published(void)
{
    nrx_ct_geometry g = nrx_ct_parallel(256, 256, 180, 363);
    quality("parallel 256", &g, 0, 32.43, 32.88);
    g = nrx_ct_parallel(512, 512, 360, 729);
    quality("parallel 512", &g, 0, 35.58, 35.98);
    quality("parallel 512, bins", &g, -1, 36.74, 36.46);
    g = nrx_ct_fan_flat(256, 256, 360, 363, 512, 768, 1.6);
    quality("fan flat", &g, 0, 32.96, 33.17);
    g = nrx_ct_fan_curved(256, 256, 360, 363, 512, 768, 1.6);
    quality("fan curved", &g, 0, 32.57, 32.65);
    g = nrx_ct_fan_flat(256, 256, 221, 363, 512, 768, 1.6);
    g.step = 221.44 / 221 * NRX_PI / 180;
    quality("short scan", &g, 0, 31.88, 32.59);
    g = nrx_ct_fan_flat(256, 256, 360, 240, 512, 768, 1.6);
    g.offset = 61.5 * 1.6;
    quality("one-sided detector", &g, 0, 31.65, 32.54);
}

/* Mean of the reconstruction inside a disc of value 1. */
static double disc_value(nrx_ct_geometry g)
{
    size_t n = nrx_ct_image_size(&g), i, count = 0;
    double *x = (double *)malloc(n * sizeof *x), *b = (double *)malloc(nrx_ct_sino_size(&g) * sizeof *b), sum = 0;
    double half = 0.5 * (double)g.cols * g.pixel;
    nrx_ct_ellipse e;
    if (!x || !b) exit(2);
    memset(&e, 0, sizeof e);
    e.a = e.b = 0.6 * half;
    e.x = 0.1 * half;
    e.value = 1;
    g.dtype = NRX_F64;
    CHECK(nrx_ct_ellipses_project(&g, &e, 1, 0, b) == NRX_OK);
    CHECK((g.slices > 1 ? nrx_ct_fdk : nrx_ct_fbp)(&g, b, x, NULL) == NRX_OK);
    for (i = 0; i < n; i++) {
        size_t col = i % g.cols, row = i / g.cols % g.rows;
        double px = ((double)col - 0.5 * ((double)g.cols - 1)) * g.pixel + g.centre_x - e.x;
        double py = (0.5 * ((double)g.rows - 1) - (double)row) * (g.pixel_y > 0 ? g.pixel_y : g.pixel) + g.centre_y;
        if (px * px + py * py > 0.8 * 0.8 * e.a * e.a) continue;
        sum += x[i];
        count++;
    }
    free(x); free(b);
    return count ? sum / (double)count : 0;
}

static void discs(void)
{
    static const char *const name[] = {"parallel", "parallel 360", "coarse bins", "fine pixels", "few views", "anisotropic, moved", "fan flat", "fan, near", "fan curved", "tilted",
                                       "axis shifted", "random angles", "vectors", "cone", "parallel 3d", "short scan", "short scan, curved", "one-sided flat",
                                       "one-sided curved", "offset, parallel", "offset, fan", "helix, 2 turns", "helix, 3 turns, 6 slices", "cone, off the plane", "cone, short scan", "vectors, parallel",
                                       "cone, tilted"};
    static double angles[120];
    static nrx_ct_view views[120];
    nrx_test_rng r = {5};
    int k, i;
    for (k = 0; k < 27; k++) {
        nrx_ct_geometry g = nrx_ct_parallel(64, 64, 120, 95);
        double v;
        switch (k) {
        case 1: g.step *= 2; break;
        case 2: g.pitch = 2; g.bins = 61; break;
        case 3: g.pixel = 0.25; g.rows = g.cols = 128; break;
        case 4: g = nrx_ct_parallel(64, 64, 41, 95); break;
        case 5: g.pixel_y = 0.7; g.centre_x = 3; g.centre_y = -2; break;
        case 6: g = nrx_ct_fan_flat(64, 64, 120, 95, 200, 300, 1.6); break;
        case 7: g = nrx_ct_fan_flat(64, 64, 180, 301, 60, 90, 1); break;
        case 8: g = nrx_ct_fan_curved(64, 64, 120, 95, 200, 300, 1.6); break;
        case 9: g = nrx_ct_fan_flat(64, 64, 120, 95, 200, 300, 1.6); g.tilt = 0.2; break;
        case 10: g = nrx_ct_fan_flat(64, 64, 120, 95, 200, 300, 1.6); g.axis_shift = 4; break;
        case 11:
            for (i = 0; i < 120; i++) angles[i] = NRX_PI * (i + 0.4 * nrx_test_signed(&r)) / 120 - 40 * (i % 2) * NRX_PI;
            g.angles = angles;
            break;
        case 12:
            g = nrx_ct_fan_flat(64, 64, 120, 95, 200, 300, 1.6);
            for (i = 0; i < 120; i++) CHECK(nrx_ct_geometry_view(&g, (size_t)i, &views[i]) == NRX_OK);
            g = nrx_ct_vectors(1, 64, 64, 120, 1, 95, views, 1);
            break;
        case 13: g = nrx_ct_cone(3, 64, 64, 120, 9, 95, 200, 300, 1.6); break;
        case 14: g = nrx_ct_parallel3d(2, 64, 64, 120, 4, 95); break;
        case 15: g = nrx_ct_fan_flat(64, 64, 100, 95, 200, 300, 1.6); g.step = 210.0 / 100 * NRX_PI / 180; break;
        case 16: g = nrx_ct_fan_curved(64, 64, 100, 95, 200, 300, 1.6); g.step = 215.0 / 100 * NRX_PI / 180; break;
        case 17: g = nrx_ct_fan_flat(64, 64, 180, 65, 200, 300, 1.6); g.offset = 15 * 1.6; break;
        case 18: g = nrx_ct_fan_curved(64, 64, 180, 65, 200, 300, 1.6); g.offset = -15 * 1.6; break;
        case 19: g.offset = 4.3; break;
        case 20: g = nrx_ct_fan_flat(64, 64, 120, 95, 200, 300, 1.6); g.offset = -5.3; break;
        case 21: g = nrx_ct_cone(3, 64, 64, 240, 25, 95, 200, 300, 1.6); g.step *= 2; g.helix_pitch = 6; g.z_start = -6; break;
        case 22: g = nrx_ct_cone(6, 64, 64, 360, 25, 95, 200, 300, 1.6); g.step = 6 * NRX_PI / 360; g.helix_pitch = 6; g.z_start = -9; break;
        case 23: g = nrx_ct_cone(9, 64, 64, 120, 25, 95, 200, 300, 1.6); g.centre_z = 6; break;
        case 24: g = nrx_ct_cone(3, 64, 64, 100, 9, 95, 200, 300, 1.6); g.step = 210.0 / 100 * NRX_PI / 180; break;
        case 25:
            for (i = 0; i < 120; i++) CHECK(nrx_ct_geometry_view(&g, (size_t)i, &views[i]) == NRX_OK);
            g = nrx_ct_vectors(1, 64, 64, 120, 1, 95, views, 0);
            break;
        case 26: g = nrx_ct_cone(3, 64, 64, 120, 9, 95, 200, 300, 1.6); g.tilt = 0.1; break;
        default: break;
        }
        v = disc_value(g);
        CHECK_NEAR(v, 1, 0.005);
        if (SHOW) printf("disc, %-20s %.5f\n", name[k], v);
    }
}

/* Conjugate rays (b, gamma) and (b + pi - 2 gamma, -gamma), in this convention of signs, share a weight of one. */
static void parker(void)
{
    double gm = 0.3, gamma, b;
    for (gamma = -0.29; gamma < 0.3; gamma += 0.01)
        for (b = 0.001; b < NRX_PI + 2 * gm; b += 0.05) {
            double other = b + NRX_PI - 2 * gamma;
            if (other > NRX_PI + 2 * gm) other = b - NRX_PI - 2 * gamma;
            if (other < 0 || other > NRX_PI + 2 * gm) { CHECK_NEAR(nrxi_ct_parker(b, gamma, gm), 1, 1e-12); continue; }
            CHECK_NEAR(nrxi_ct_parker(b, gamma, gm) + nrxi_ct_parker(other, -gamma, gm), 1, 1e-12);
        }
}

static nrx_status fbp_call(const nrx_env *env)
{
    static float x[64], b[10 * 13];
    nrx_ct_geometry g = nrx_ct_parallel(8, 8, 10, 13);
    g.env = *env;
    return nrx_ct_fbp(&g, b, x, NULL);
}

static void allocations(void)
{
    nrx_env env = NRX_ZERO;
    nrx_test_heap heap;
    NRX_TEST_EACH_ALLOC(env, heap, fbp_call(&env), (void)0);
}

static void errors(void)
{
    nrx_ct_geometry g = nrx_ct_parallel(8, 8, 10, 13);
    nrx_ct_fbp_desc d = NRX_ZERO;
    nrx_test_log_state log = {0, 0, ""};
    float x[64], b[130] = {0};
    double hole = HUGE_VAL;
    NRX_TEST_LOG_ENV(g.env, log);
    CHECK(nrx_ct_fbp(&g, b, x, &d) == NRX_OK);
    d.cutoff = 2;
    CHECK(nrx_ct_fbp(&g, b, x, &d) == NRX_E_ARG && strstr(log.last, "cutoff"));
    d.cutoff = 0;
    d.window = 9;
    CHECK(nrx_ct_fbp(&g, b, x, &d) == NRX_E_ARG && strstr(log.last, "window"));
    d.window = 0;
    b[7] = (float)(hole - hole);
    CHECK_ALWAYS(nrx_ct_fbp(&g, b, x, NULL) == NRX_E_NUMERIC && strstr(log.last, "NaN"));
    CHECK(nrx_ct_fbp(NULL, b, x, NULL) == NRX_E_ARG);
    g.views = 0;
    CHECK(nrx_ct_fbp(&g, b, x, NULL) == NRX_E_SHAPE && strstr(log.last, "0 views"));
    g.views = 10;
    g.pitch = -1;
    CHECK(nrx_ct_fbp(&g, b, x, NULL) == NRX_E_ARG && strstr(log.last, "pitch"));
    g.pitch = 1;
    g.rows = (size_t)-1 / 2;
    CHECK(nrx_ct_fbp(&g, b, x, NULL) == NRX_E_RANGE && strstr(log.last, "too large"));
    g = nrx_ct_fan_flat(8, 8, 10, 13, 3, 20, 1);
    NRX_TEST_LOG_ENV(g.env, log);
    CHECK(nrx_ct_fbp(&g, b, x, NULL) == NRX_E_ARG && strstr(log.last, "inside the image"));
    g = nrx_ct_cone(2, 8, 8, 10, 2, 13, 30, 40, 1);
    NRX_TEST_LOG_ENV(g.env, log);
    CHECK(nrx_ct_fbp(&g, b, x, NULL) == NRX_E_UNSUPPORTED && strstr(log.last, "nrx_ct_fdk"));
}

static void threads(void)
{
    nrx_ct_geometry g = nrx_ct_fan_flat(40, 40, 33, 61, 100, 150, 1.5);
    static float x[1600], b[33 * 61];
    int workers, i;
    NRX_TEST_POOL_ENV(g.env, workers);
    for (i = 0; i < 33 * 61; i++) b[i] = (float)((i * 7919) % 101) / 101;
    CHECK(nrx_ct_fbp(&g, b, x, NULL) == NRX_OK);
    nrx_test_checksum("fbp", x, sizeof x);
}

int main(void)
{
#if defined(NRX_TEST_ALLOC)
    allocations();
#elif defined(NRX_TEST_THREADS)
    threads();
#else
    discs();
    parker();
    errors();
    allocations();
    threads();
    published();
#endif
    return nrx_test_end();
}
