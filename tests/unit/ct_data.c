/* Phantoms and their exact projections, noise, metrics, corrections, image files, scan descriptions.
   SPDX-License-Identifier: MIT-0 OR Unlicense
   run: alloc */
#include "nrx_test.h"
#define NRX_CT_IMPLEMENTATION
#include "nrx_ct.h"
#include "nrx_test.h"

/* Golden values of the modified Shepp-Logan phantom, unit disc = 128 pixels. */
static void exact(void)
{
    static const double where[4][3] = {{0, 0, 65.8688}, {0.3, 10, 54.05119187}, {1.0, -40, 32.47648011}, {NRX_PI / 2, 60.5, 44.00734986}};
    static double y[9001];
    nrx_ct_ellipse e[10];
    int k, i;
    nrx_ct_shepp_logan(128, 1, e);
    for (k = 0; k < 4; k++) {
        nrx_ct_geometry g = nrx_ct_parallel(1, 1, 1, 1);
        double a = 0, line = 0, mean = 0;
        g.dtype = NRX_F64;
        g.start = where[k][0];
        g.offset = where[k][1];
        CHECK(nrx_ct_ellipses_project(&g, e, 10, 0, &line) == NRX_OK);
        CHECK_NEAR(line, where[k][2], 1e-7);
        g.pitch = 1e-4; /* the mean over a narrow bin is the line */
        CHECK(nrx_ct_ellipses_project(&g, e, 10, -1, &mean) == NRX_OK);
        CHECK_NEAR(mean, line, 1e-4);
        /* the same ray as part of a far fan, and mass: bins tile the view */
        g = nrx_ct_parallel(1, 1, 1, 3001);
        g.dtype = NRX_F64;
        g.pitch = 0.1;
        g.start = where[k][0];
        CHECK(nrx_ct_ellipses_project(&g, e, 10, -1, y) == NRX_OK);
        for (i = 0; i < 3001; i++) a += 0.1 * y[i];
        CHECK_REL(a, 8114.415286, 1e-9);
    }
}

/* A sphere in a cone beam: chord 2 sqrt(R^2 - d^2), d the distance of the ray from the centre. */
static void sphere(void)
{
    nrx_ct_geometry g = nrx_ct_cone(8, 8, 8, 5, 7, 9, 40, 60, 1.5);
    nrx_ct_ellipse e;
    static double y[5 * 7 * 9];
    size_t view, i, j;
    memset(&e, 0, sizeof e);
    e.x = 1; e.y = -2; e.z = 0.5;
    e.a = e.b = e.c = 3;
    e.phi = 0.7;
    e.value = 2;
    g.dtype = NRX_F64;
    CHECK(nrx_ct_ellipses_project(&g, &e, 1, 0, y) == NRX_OK);
    for (view = 0; view < 5; view++) {
        nrx_ct_view v;
        CHECK(nrx_ct_geometry_view(&g, view, &v) == NRX_OK);
        for (i = 0; i < 7; i++)
            for (j = 0; j < 9; j++) {
                double d[3], w[3], dd = 0, dw = 0, ww = 0, dist, chord;
                int k;
                const double c[3] = {1, -2, 0.5};
                for (k = 0; k < 3; k++) {
                    d[k] = v.detector[k] + ((double)j - 4) * v.u[k] + ((double)i - 3) * v.v[k] - v.source[k];
                    w[k] = c[k] - v.source[k];
                    dd += d[k] * d[k];
                    dw += d[k] * w[k];
                    ww += w[k] * w[k];
                }
                dist = ww - dw * dw / dd;
                chord = dist < 9 ? 4 * sqrt(9 - dist) : 0;
                CHECK_NEAR(y[(view * 7 + i) * 9 + j], chord, 1e-6);
            }
    }
}

static void phantoms(void)
{
    nrx_ct_geometry g = nrx_ct_parallel(256, 256, 1, 1);
    static double x[256 * 256], z[48 * 48], z2[48 * 48];
    double sum = 0, square = 0, lo = 1, hi = 0;
    size_t i;
    g.dtype = NRX_F64;
    CHECK(nrx_ct_phantom_shepp_logan(&g, x) == NRX_OK);
    for (i = 0; i < 65536; i++) { sum += x[i]; square += x[i] * x[i]; }
    CHECK_NEAR(sum, 8114.4153, 0.1);
    CHECK_NEAR(square, 3833.25, 1.5); /* 16 x 16 samples give 3833.2537 */
    CHECK_NEAR(x[128 * 256 + 128], 0.2, 1e-9);
    CHECK(x[128 * 256 + 128 + 28] < 0.1 && x[128 * 256 + 128 - 28] < 0.1);
    g = nrx_ct_parallel(48, 48, 1, 1);
    g.dtype = NRX_F64;
    CHECK(nrx_ct_phantom_textured(&g, 1, 2, 0, z) == NRX_OK && nrx_ct_phantom_textured(&g, 1, 2, 0, z2) == NRX_OK);
    CHECK(memcmp(z, z2, sizeof z) == 0);
    for (i = 0; i < 48 * 48; i++) { if (z[i] < lo) lo = z[i]; if (z[i] > hi) hi = z[i]; }
    CHECK(lo >= 0 && hi <= 1 && hi > 0.3);
    CHECK(nrx_ct_phantom_textured(&g, 1, 3, 0, z2) == NRX_OK && memcmp(z, z2, sizeof z) != 0);
    CHECK(nrx_ct_phantom_random_ellipses(&g, 1, 2, z) == NRX_OK);
}

/* Means and variances of the sampler within four standard errors, on both sides of its switch. */
static void noise(void)
{
    static const double mean[5] = {0.3, 7, 12, 100, 30000};
    enum { COUNT = 200000 };
    static float p[COUNT];
    int k, i;
    for (k = 0; k < 5; k++) {
        nrx_rng r;
        double m = 0, v = 0;
        nrx_rng_seed(&r, 42, (uint64_t)k);
        for (i = 0; i < COUNT; i++) {
            double c = nrx_ct_poisson(&r, mean[k]) - mean[k];
            m += c / COUNT;
            v += c * c / COUNT;
        }
        CHECK_NEAR(m, 0, 4 * sqrt(mean[k] / COUNT));
        CHECK_NEAR(v, mean[k], 4 * mean[k] * sqrt((2 + 1 / mean[k]) / COUNT));
    }
    { /* -log of counts: variance exp(p)/I0 + (sigma_e exp(p) / I0)^2, bias half of the first */
        nrx_ct_noise n = NRX_ZERO;
        double m = 0, v = 0, var = exp(1.5) / 5000 + pow(20 * exp(1.5) / 5000, 2);
        n.photons = 5000;
        n.electronic = 20;
        n.seed = 3;
        for (i = 0; i < COUNT; i++) p[i] = 1.5f;
        CHECK(nrx_ct_add_poisson_noise(COUNT, 0, NRX_F32, p, &n) == NRX_OK);
        for (i = 0; i < COUNT; i++) m += ((double)p[i] - 1.5) / COUNT;
        for (i = 0; i < COUNT; i++) v += ((double)p[i] - 1.5 - m) * ((double)p[i] - 1.5 - m) / COUNT;
        CHECK_NEAR(m, 0.5 * var, 4 * sqrt(var / COUNT) + 0.1 * var);
        CHECK_REL(v, var, 0.02);
    }
}

/* Golden values: Wang 2004, the default of scikit-image, PSNR and NRMSE of a phantom with a ripple. */
static void metrics(void)
{
    static double x[65536], y[65536];
    nrx_ct_ellipse e[10];
    double v = 0;
    int r, c, s, t, k;
    nrx_ct_shepp_logan(128, 1, e);
    for (r = 0; r < 256; r++) /* 16 x 16 point samples, as the reference values were made */
        for (c = 0; c < 256; c++) {
            double sum = 0;
            for (s = 0; s < 16; s++)
                for (t = 0; t < 16; t++)
                    for (k = 0; k < 10; k++) {
                        double px = c - 127.5 + (t + 0.5) / 16 - 0.5 - e[k].x, py = 127.5 - r - ((s + 0.5) / 16 - 0.5) - e[k].y;
                        double co = cos(e[k].phi), si = sin(e[k].phi), a = (px * co + py * si) / e[k].a, b = (py * co - px * si) / e[k].b;
                        if (a * a + b * b <= 1) sum += e[k].value / 256;
                    }
            x[r * 256 + c] = sum;
            y[r * 256 + c] = sum + 0.05 * sin(0.7 * r) * cos(0.3 * c);
        }
    CHECK(nrx_ct_ssim(256, 256, NRX_F64, y, x, 1, NRX_CT_SSIM_WANG, NULL, &v) == NRX_OK);
    CHECK_NEAR(v, 0.595427677, 1e-6);
    CHECK(nrx_ct_ssim(256, 256, NRX_F64, y, x, 1, NRX_CT_SSIM_UNIFORM, NULL, &v) == NRX_OK);
    CHECK_NEAR(v, 0.624644103, 1e-6);
    CHECK(nrx_ct_psnr(65536, NRX_F64, y, x, 1, NULL, &v) == NRX_OK);
    CHECK_NEAR(v, 32.018553, 1e-6);
    CHECK(nrx_ct_nrmse(65536, NRX_F64, y, x, NULL, &v) == NRX_OK);
    CHECK_NEAR(v, 0.103640272, 1e-6);
    CHECK(nrx_ct_ssim(256, 256, NRX_F64, x, x, 1, NRX_CT_SSIM_WANG, NULL, &v) == NRX_OK);
    CHECK_NEAR(v, 1, 1e-12);
    CHECK(nrx_ct_psnr(65536, NRX_F64, x, x, 1, NULL, &v) == NRX_OK && v > 1e300);
    CHECK(nrx_ct_ssim(5, 256, NRX_F64, x, x, 1, NRX_CT_SSIM_WANG, NULL, &v) == NRX_E_SHAPE);
}

static void corrections(void)
{
    enum { V = 60, B = 95, N = 64 };
    static float sino[V * B], clean[V * B], raw[V * B], flat[2 * B], dark[B];
    static unsigned char bad[V * B], dead[B];
    nrx_ct_geometry g = nrx_ct_parallel(N, N, V, B);
    nrx_ct_ellipse e[10];
    double change = 0, size = 0;
    size_t count = 0;
    int i;
    nrx_ct_shepp_logan(30, 1, e);
    for (i = 0; i < 10; i++) e[i].value *= 0.05;
    CHECK(nrx_ct_ellipses_project(&g, e, 10, -1, clean) == NRX_OK);
    for (i = 0; i < B; i++) { dark[i] = 100 + (float)(i % 7); flat[i] = flat[B + i] = 20000 + 50 * (float)(i % 11); }
    flat[17] = flat[B + 17] = 3; /* dead */
    for (i = 0; i < V * B; i++) raw[i] = dark[i % B] + (flat[i % B] - dark[i % B]) * expf(-clean[i]);
    CHECK(nrx_ct_flat_field(&g, raw, flat, 2, dark, 1, 0, sino, dead) == NRX_OK);
    CHECK(dead[17] == 1 && dead[16] == 0);
    for (i = 0; i < V * B; i++) { bad[i] = dead[i % B]; if (!bad[i]) CHECK_NEAR(sino[i], clean[i], 1e-4); }
    CHECK(nrx_ct_interpolate(&g, sino, bad) == NRX_OK);
    for (i = 0; i < V; i++) CHECK_NEAR(sino[i * B + 17], clean[i * B + 17], 0.03);
    CHECK(nrx_ct_ellipses_project(&g, e, 1, -1, clean) == NRX_OK);
    memcpy(sino, clean, sizeof sino);
    sino[20 * B + 40] += 1;
    sino[33 * B + 50] += 2;
    CHECK(nrx_ct_remove_zingers(&g, sino, 0, &count) == NRX_OK);
    CHECK(count >= 2 && fabs((double)sino[20 * B + 40] - (double)clean[20 * B + 40]) < 0.1);
    for (i = 0; i < V * B; i++) { change += pow((double)sino[i] - (double)clean[i], 2); size += (double)clean[i] * (double)clean[i]; }
    CHECK(sqrt(change / size) < 0.05);
}

enum { RN = 192, RV = 192, RB = 288 };

/* Rings of an image: mean over circles of its difference to a clean one, minus a running mean of nine radii. */
static double rings(const float *x, const float *clean)
{
    double profile[RN / 2] = {0}, sum = 0;
    int count[RN / 2] = {0}, i, j, k;
    for (i = 0; i < RN; i++)
        for (j = 0; j < RN; j++) {
            double y = i - 0.5 * (RN - 1), z = j - 0.5 * (RN - 1);
            int r = (int)sqrt(y * y + z * z);
            if (r >= RN / 2) continue;
            profile[r] += (double)x[i * RN + j] - (double)clean[i * RN + j];
            count[r]++;
        }
    for (i = 0; i < RN / 2; i++) profile[i] /= count[i];
    for (i = 4; i < RN / 2 - 4; i++) {
        double mean = 0;
        for (k = -4; k <= 4; k++) mean += profile[i + k] / 9;
        sum += (profile[i] - mean) * (profile[i] - mean);
    }
    return sqrt(sum / (RN / 2 - 8));
}

/* Gains of the bins off by 2 % (normal): rings fall to less than a fifth, the image gains, a clean sinogram changes by less than half a percent. */
static void stripes(void)
{
    static float truth[RN * RN], x[RN * RN], ideal[RN * RN], clean[RV * RB], sino[RV * RB];
    nrx_ct_geometry g = nrx_ct_parallel(RN, RN, RV, RB);
    nrx_ct_ellipse e[10];
    nrx_rng r;
    double before, after, a = 0, b = 0, change = 0, size = 0;
    int i, v;
    nrx_ct_shepp_logan(0.45 * RN, 1, e);
    for (i = 0; i < 10; i++) e[i].value *= 4.0 / RN;
    nrx_rng_seed(&r, 31, 0);
    CHECK(nrx_ct_phantom_ellipses(&g, e, 10, 0, truth) == NRX_OK && nrx_ct_ellipses_project(&g, e, 10, -1, clean) == NRX_OK && nrx_ct_fbp(&g, clean, ideal, NULL) == NRX_OK);
    for (i = 0; i < RB; i++) {
        float gain = (float)log(1 + 0.02 * nrx_rng_normal(&r));
        for (v = 0; v < RV; v++) sino[v * RB + i] = clean[v * RB + i] - gain;
    }
    CHECK(nrx_ct_fbp(&g, sino, x, NULL) == NRX_OK && nrx_ct_psnr(RN * RN, NRX_F32, x, truth, 0, NULL, &a) == NRX_OK);
    before = rings(x, ideal);
    CHECK(nrx_ct_remove_rings(&g, sino, 0) == NRX_OK);
    CHECK(nrx_ct_fbp(&g, sino, x, NULL) == NRX_OK && nrx_ct_psnr(RN * RN, NRX_F32, x, truth, 0, NULL, &b) == NRX_OK);
    after = rings(x, ideal);
    CHECK(after < before / 5);
    CHECK(b > a);
    memcpy(sino, clean, sizeof sino);
    CHECK(nrx_ct_remove_rings(&g, sino, 0) == NRX_OK);
    for (i = 0; i < RV * RB; i++) { change += pow((double)sino[i] - (double)clean[i], 2); size += pow((double)clean[i], 2); }
    CHECK(sqrt(change / size) < 0.005);
    CHECK(nrx_ct_remove_rings(&g, sino, 4) == NRX_E_ARG);
    if (getenv("NRX_TEST_SHOW")) printf("rings: %.2f times less, %.2f -> %.2f dB, a clean sinogram changes by %.3f %%\n", before / after, a, b, 100 * sqrt(change / size));
}

/* Foam: voids inside the body and apart from each other, the same on every call. The head: nested values as documented. */
static void foams_and_heads(void)
{
    static nrx_ct_ellipse f[301], f2[301], h[NRX_CT_HEAD];
    static double x[256 * 256];
    nrx_ct_geometry g = nrx_ct_parallel(256, 256, 1, 1);
    int dimensions, i, k;
    for (dimensions = 2; dimensions <= 3; dimensions++) {
        CHECK(nrx_ct_foam(10, 300, dimensions, 5, f) == NRX_OK && nrx_ct_foam(10, 300, dimensions, 5, f2) == NRX_OK && memcmp(f, f2, sizeof f) == 0);
        for (i = 1; i <= 300; i++) {
            CHECK(f[i].a > 0 && f[i].a <= 2 + 1e-12 && sqrt(f[i].x * f[i].x + f[i].y * f[i].y) + f[i].a <= 10 + 1e-12);
            for (k = 1; k < i; k++)
                CHECK(sqrt(pow(f[i].x - f[k].x, 2) + pow(f[i].y - f[k].y, 2) + pow(f[i].z - f[k].z, 2)) >= f[i].a + f[k].a - 1e-12);
        }
    }
    CHECK(nrx_ct_foam(10, 3, 4, 5, f) == NRX_E_ARG && nrx_ct_foam(-1, 3, 2, 5, f) == NRX_E_ARG);
    nrx_ct_head(128, h);
    g.dtype = NRX_F64;
    CHECK(nrx_ct_phantom_ellipses(&g, h, NRX_CT_HEAD, 0, x) == NRX_OK); /* ten pixels per cm, centre between pixels */
    CHECK_NEAR(x[128 * 256 + 128 + 40], 1.05, 1e-12);                     /* brain */
    CHECK_NEAR(x[(128 - 117) * 256 + 128], 1.8, 1e-12);                   /* skull, at y = 11.65 above the cavity */
    CHECK_NEAR(x[(128 - 70) * 256 + 128], 0, 1e-12);                      /* cavity */
    CHECK_NEAR(x[(128 - 43) * 256 + 128 + 47], 1.06, 1e-12);              /* eye */
    CHECK_NEAR(x[(128 + 36) * 256 + 128], 1.045, 1e-12);                  /* ventricle */
    CHECK_NEAR(x[5], 0, 1e-12);
    for (i = 0; i < 65536; i++) CHECK(x[i] > -1e-9 && x[i] < 1.8 + 1e-9);
}

static void hardening(void)
{
    static const double spectrum[3] = {1, 2, 1}, mu[3] = {0.05, 0.03, 0.02};
    nrx_ct_beam beam = {3, 1, spectrum, mu};
    double c[4], length[50], p[50], slope = 1e9;
    int i;
    for (i = 0; i < 50; i++) length[i] = 2.0 * i;
    CHECK(nrx_ct_polychromatic(50, NRX_F64, &beam, length, p) == NRX_OK);
    CHECK_NEAR(p[0], 0, 1e-15);
    CHECK_NEAR(p[25], -log(0.25 * exp(-0.05 * 50) + 0.5 * exp(-0.03 * 50) + 0.25 * exp(-0.02 * 50)), 1e-14);
    for (i = 1; i < 50; i++) { CHECK(p[i] - p[i - 1] < slope); slope = p[i] - p[i - 1]; } /* concave */
    CHECK(nrx_ct_fit_hardening(&beam, 0, 100, 4, c) == NRX_OK);
    CHECK(nrx_ct_correct_hardening(50, NRX_F64, p, 4, c) == NRX_OK);
    for (i = 0; i < 50; i++) CHECK_NEAR(p[i], 0.0325 * length[i], 2e-3);
    p[0] = 0.02; p[1] = 0;
    CHECK(nrx_ct_hounsfield(2, NRX_F64, p, 0.02, 0) == NRX_OK && p[0] == 0 && p[1] == -1000);
}

static void files(void)
{
    static const char *const name[4] = {"ct_test.npy", "ct_test.tif", "ct_test.mha", "ct_test.pgm"};
    const size_t shape[3] = {2, 3, 5};
    const double spacing[3] = {0.5, 0.25, 2};
    float x[30];
    nrx_test_log_state log = {0, 0, ""};
    nrx_env env = NRX_ZERO;
    int k, i;
    NRX_TEST_LOG_ENV(env, log);
    for (i = 0; i < 30; i++) x[i] = (float)i / 30;
    for (k = 0; k < 4; k++) {
        void *data = NULL;
        size_t s[3];
        double h[3];
        CHECK(nrx_ct_image_save(name[k], NRX_F32, x, shape, spacing, 0, 1, NULL) == NRX_OK);
        CHECK(nrx_ct_image_load(name[k], NRX_F64, &data, s, h, &env) == NRX_OK);
        if (!data) continue;
        CHECK(s[0] == (k == 3 ? 1u : 2u) && s[1] == 3 && s[2] == 5);
        if (k == 2) CHECK(h[0] == 0.5 && h[1] == 0.25 && h[2] == 2);
        for (i = 0; i < (k == 3 ? 15 : 30); i++) CHECK_NEAR(((double *)data)[i] / (k == 3 ? 65535 : 1), x[i], k == 3 ? 1e-5 : 0);
        nrx_ct_free(data, &env);
        remove(name[k]);
    }
    {
        void *data = NULL;
        size_t s[3];
        CHECK(nrx_ct_image_decode("\x89PNG\r\n\x1a\n", 8, NRX_F32, &data, s, NULL, &env) == NRX_E_FORMAT && strstr(log.last, "137 80 78 71"));
        CHECK(nrx_ct_image_load("no such file.tif", NRX_F32, &data, s, NULL, &env) == NRX_E_IO && data == NULL);
    }
}

static void descriptions(void)
{
    static const struct { const char *text; int status; const char *says; } bad[] = {
        {"", NRX_E_FORMAT, "'geometry' is missing"},
        {"geometry parallel", NRX_E_FORMAT, "key = value"},
        {"geometry = spiral", NRX_E_FORMAT, "'spiral'"},
        {"colour = red", NRX_E_FORMAT, "unknown key 'colour'"},
        {"geometry = parallel\ndetector_count = eight", NRX_E_FORMAT, "line 2"},
        {"geometry = parallel\ngeometry = parallel", NRX_E_FORMAT, "twice"},
        {"geometry = fan_flat\ndetector_count = 8\ndetector_pitch = 1\nimage_size = 4 4\nviews = 3\nangle_step = 1", NRX_E_FORMAT, "source_origin"},
        {"geometry = parallel\ndetector_count = 8\ndetector_pitch = 1\nimage_size = 4 4", NRX_E_FORMAT, "angles"},
        {"geometry = parallel\ndetector_count = 8\ndetector_pitch = -1\nimage_size = 4 4\nviews = 3\nangle_step = 1", NRX_E_ARG, "pitch"},
        {"geometry = parallel\ndetector_count = 8.5\ndetector_pitch = 1\nimage_size = 4 4\nviews = 3\nangle_step = 1", NRX_E_FORMAT, "whole"},
        {"geometry = fan_flat\nsource_origin = 1\nsource_detector = 5\ndetector_count = 8\ndetector_pitch = 1\nimage_size = 4 4\nviews = 3\nangle_step = 1",
         NRX_E_ARG, "inside the image"}};
    const char *good = "# comment\ngeometry = fan_flat # here too\nsource_origin = 1e2\nsource_detector = 150.5\ndetector_count = 9\ndetector_pitch = .5\n"
                       "detector_centre = 3\nviews = 4\nangle_start = 90\nangle_step = -45\nangle_unit = deg\nimage_size = 5 6\npixel_size = 2 3\n";
    nrx_test_log_state log = {0, 0, ""};
    nrx_env env = NRX_ZERO;
    nrx_ct_geometry g;
    size_t i;
    NRX_TEST_LOG_ENV(env, log);
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        int status = nrx_ct_geometry_parse(bad[i].text, strlen(bad[i].text), &g, &env);
        CHECK(status == bad[i].status && strstr(log.last, bad[i].says));
        if (status != bad[i].status || !strstr(log.last, bad[i].says)) printf("case %d: %s\n", (int)i, log.last);
    }
    CHECK(nrx_ct_geometry_parse(good, strlen(good), &g, &env) == NRX_OK);
    CHECK(g.kind == NRX_CT_FAN_FLAT && g.sod == 100 && g.bins == 9 && g.offset == 0.5 && g.rows == 5 && g.cols == 6 && g.pixel_y == 3 && g.views == 4);
    CHECK_NEAR(g.sdd, 150.5, 1e-12);
    CHECK_NEAR(nrx_ct_angle(&g, 1), NRX_PI / 4, 1e-15);
    nrx_ct_geometry_free(&g);
}

/* The trace of a bright pixel follows the conventions of the header for every kind of geometry. */
static void conventions(void)
{
    int k, view;
    for (k = 0; k < 3; k++) {
        nrx_ct_geometry g = k == 0 ? nrx_ct_parallel(33, 33, 16, 65) : k == 1 ? nrx_ct_fan_flat(33, 33, 16, 129, 80, 120, 1) : nrx_ct_fan_curved(33, 33, 16, 129, 80, 120, 1);
        static float x[33 * 33], y[16 * 129];
        memset(x, 0, sizeof x);
        x[5 * 33 + 26] = 1; /* x = 10, y = 11 */
        CHECK(nrx_ct_project(&g, x, y) == NRX_OK);
        for (view = 0; view < 16; view++) {
            double t = nrx_ct_angle(&g, (size_t)view), s = 10 * cos(t) + 11 * sin(t), depth = 80 - 10 * sin(t) + 11 * cos(t), sum = 0, moment = 0;
            size_t j;
            double expected = k == 0 ? s : k == 1 ? 120 * s / depth : 120 * atan2(s, depth);
            for (j = 0; j < g.bins; j++) {
                double v = (double)y[(size_t)view * g.bins + j];
                sum += v;
                moment += v * ((double)j - 0.5 * ((double)g.bins - 1));
            }
            CHECK(sum > 0);
            CHECK_NEAR(moment / sum, expected, 0.5); /* rays sample the pixel bin by bin */
        }
    }
}

static nrx_status save_and_load(const nrx_env *env, int k)
{
    static const char *const name[3] = {"ct_alloc.tif", "ct_alloc.mha", "ct_alloc.pgm"};
    const size_t shape[3] = {1, 2, 2};
    const float x[4] = {0, 1, 2, 3};
    void *data;
    size_t s[3];
    nrx_status status = nrx_ct_image_save(name[k], NRX_F32, x, shape, NULL, 0, 3, env);
    if (status != NRX_OK) return status;
    status = nrx_ct_image_load(name[k], NRX_F32, &data, s, NULL, env);
    if (status == NRX_OK) nrx_ct_free(data, env);
    return status;
}

static void allocations(void)
{
    nrx_env env = NRX_ZERO;
    nrx_test_heap heap;
    int k;
    for (k = 0; k < 3; k++) NRX_TEST_EACH_ALLOC(env, heap, save_and_load(&env, k), (void)0);
    remove("ct_alloc.tif");
    remove("ct_alloc.mha");
    remove("ct_alloc.pgm");
}

int main(void)
{
#if defined(NRX_TEST_ALLOC)
    allocations();
#else
    exact();
    sphere();
    phantoms();
    noise();
    metrics();
    corrections();
    stripes();
    foams_and_heads();
    hardening();
    files();
    descriptions();
    conventions();
    allocations();
#endif
    return nrx_test_end();
}
