/* The projectors: exact adjoints for random geometries, error tables, orders, masks, threads.
   SPDX-License-Identifier: MIT-0 OR Unlicense
   run: alloc threads reproducible */
#define NRX_TEST_POOL
#include "nrx_test.h"
#define NRX_CT_IMPLEMENTATION
#include "nrx_ct.h"
#include "nrx_test.h"

static double get(const void *x, int dtype, size_t i) { return dtype == NRX_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i]; }
static void set(void *x, int dtype, size_t i, double v)
{
    if (dtype == NRX_F32) ((float *)x)[i] = (float)v;
    else ((double *)x)[i] = v;
}
static double dot(const void *x, const void *y, int dtype, size_t n)
{
    double s = 0;
    size_t i;
    for (i = 0; i < n; i++) s += get(x, dtype, i) * get(y, dtype, i);
    return s;
}

/* A geometry out of a hat: sizes from 1, any kind, shifted, tilted, sometimes far away or with the source close to the image. */
static nrx_ct_geometry random_geometry(nrx_test_rng *r, double *angles, nrx_ct_view *vectors)
{
    nrx_ct_geometry g;
    size_t i, rows = 1 + nrx_test_below(r, 40), cols = 1 + nrx_test_below(r, 40), views = 1 + nrx_test_below(r, 12), bins = 1 + nrx_test_below(r, 60);
    double size, pitch = 0.2 + 3 * nrx_test_uniform(r);
    int kind = (int)nrx_test_below(r, 5);
    if (nrx_test_uniform(r) < 0.1) rows = cols = 1;
    if (nrx_test_uniform(r) < 0.1) views = 1;
    if (nrx_test_uniform(r) < 0.1) bins = 1;
    if (nrx_test_uniform(r) < 0.05) cols = 600 + nrx_test_below(r, 600);
    if (nrx_test_uniform(r) < 0.05) bins = 500 + nrx_test_below(r, 600);
    g = nrx_ct_parallel(rows, cols, views, bins);
    g.kind = kind;
    g.pixel = 0.3 + nrx_test_uniform(r);
    if (nrx_test_uniform(r) < 0.5) g.pixel_y = 0.3 + nrx_test_uniform(r);
    size = (double)(rows > cols ? rows : cols) * 1.3;
    g.pitch = pitch;
    g.sod = size * (1 + 3 * nrx_test_uniform(r));
    g.sdd = g.sod * (0.5 + 2 * nrx_test_uniform(r));
    if (kind == NRX_CT_FAN_CURVED && (double)bins * pitch > 2 * g.sdd) g.pitch = 2 * g.sdd / (double)bins;
    if (nrx_test_uniform(r) < 0.5) g.offset = 3 * nrx_test_signed(r);
    if (kind == NRX_CT_FAN_CURVED) g.offset *= 0.1;
    if (nrx_test_uniform(r) < 0.1 && kind != NRX_CT_FAN_CURVED) g.offset = 1e4; /* misses the object */
    if (nrx_test_uniform(r) < 0.3) g.centre_x = 2 * nrx_test_signed(r);
    if (nrx_test_uniform(r) < 0.3) g.centre_y = 2 * nrx_test_signed(r);
    if (nrx_test_uniform(r) < 0.2) g.axis_shift = nrx_test_signed(r);
    if (nrx_test_uniform(r) < 0.2) g.tilt = 0.4 * nrx_test_signed(r);
    if (nrx_test_uniform(r) < 0.4) {
        for (i = 0; i < views; i++) angles[i] = nrx_test_uniform(r) < 0.3 ? NRX_PI / 4 * (double)nrx_test_below(r, 8) : 10 * nrx_test_signed(r);
        g.angles = angles;
    }
    if (kind >= NRX_CT_VECTOR_PARALLEL) {
        nrx_ct_geometry h = g;
        h.kind = kind == NRX_CT_VECTOR_PARALLEL ? NRX_CT_PARALLEL : NRX_CT_FAN_FLAT;
        for (i = 0; i < views; i++) {
            CHECK(nrx_ct_geometry_view(&h, i, &vectors[i]) == NRX_OK);
            vectors[i].detector[0] += nrx_test_signed(r);
            vectors[i].u[1] += 0.3 * nrx_test_signed(r);
        }
        g.vectors = vectors;
    }
    g.kernel = (int)nrx_test_below(r, 3);
    return g;
}

/* |<Ax,y> - <x,A'y>| / (|Ax| |y|) for random signed x, y; the zero operator passes when both sides are zero. With a few rays only, x is positive:
   a single ray over a signed image may sum to nearly nothing, and no rounding is small against that. */
static double mismatch(const nrx_ct_geometry *g, nrx_test_rng *r)
{
    size_t n = nrx_ct_image_size(g), m = nrx_ct_sino_size(g), i;
    void *x = malloc(n * 8), *y = malloc(m * 8), *ax = malloc(m * 8), *aty = malloc(n * 8);
    double left, right, scale, result = 1;
    if (x && y && ax && aty) {
        for (i = 0; i < n; i++) set(x, g->dtype, i, m < 16 ? nrx_test_uniform(r) : nrx_test_signed(r));
        for (i = 0; i < m; i++) set(y, g->dtype, i, nrx_test_signed(r));
        CHECK(nrx_ct_project(g, x, ax) == NRX_OK);
        CHECK(nrx_ct_backproject(g, y, aty) == NRX_OK);
        left = dot(ax, y, g->dtype, m);
        right = dot(x, aty, g->dtype, n);
        scale = sqrt(dot(ax, ax, g->dtype, m) * dot(y, y, g->dtype, m));
        result = scale > 0 ? fabs(left - right) / scale : fabs(left - right);
    }
    free(x); free(y); free(ax); free(aty);
    return result;
}

static void adjoints(void)
{
    static double angles[64];
    static nrx_ct_view vectors[64];
    int kernel, dtype;
    for (kernel = 0; kernel < 3; kernel++)
        for (dtype = NRX_F32; dtype <= NRX_F64; dtype++) {
            nrx_test_rng r = {2026};
            double worst = 0;
            int done = 0;
            while (done < 200) {
                nrx_ct_geometry g = random_geometry(&r, angles, vectors);
                double e;
                g.dtype = dtype;
                g.kernel = kernel;
                if (nrx_ct_geometry_check(&g) != NRX_OK) continue; /* a source inside the image */
                e = mismatch(&g, &r);
                if (e > worst) worst = e;
                done++;
            }
            CHECK(worst < (dtype == NRX_F32 ? 1e-6 : 1e-13));
            if (getenv("NRX_TEST_SHOW")) printf("adjoint mismatch: kernel %d %s, 200 geometries: %.2e\n", kernel, dtype ? "f64" : "f32", worst);
        }
}

/* |A x - p| / |p| of the modified Shepp-Logan phantom against the published figure of the same kernel and grid, at most 1.005 of it. */
static double phantom_error(nrx_ct_geometry g, int sub_rays)
{
    size_t n = nrx_ct_image_size(&g), m = nrx_ct_sino_size(&g), i;
    float *x = (float *)malloc(n * sizeof *x), *y = (float *)malloc(m * sizeof *y), *p = (float *)malloc(m * sizeof *p);
    nrx_ct_ellipse e[10];
    double error = 0, power = 0;
    if (!x || !y || !p) exit(2);
    nrx_ct_shepp_logan((double)g.rows / 2, 1, e);
    CHECK(nrx_ct_phantom_ellipses(&g, e, 10, 16, x) == NRX_OK && nrx_ct_ellipses_project(&g, e, 10, sub_rays, p) == NRX_OK);
    CHECK(nrx_ct_project(&g, x, y) == NRX_OK);
    for (i = 0; i < m; i++) {
        error += ((double)y[i] - (double)p[i]) * ((double)y[i] - (double)p[i]);
        power += (double)p[i] * (double)p[i];
    }
    free(x); free(y); free(p);
    return sqrt(error / power);
}

static void error_table(void)
{
    static const double table[3][3][2] = { /* Joseph, Siddon, area; P256, P512, F512; against lines, against bin means */
        {{1.382e-2, 6.96e-3}, {6.737e-3, 3.52e-3}, {6.641e-3, 3.46e-3}}, /* fan: separable footprint, the best of the table */
        {{1.418e-2, 8.87e-3}, {6.866e-3, 4.39e-3}, {6.818e-3, 4.49e-3}},
        {{1.449e-2, 7.56e-3}, {7.065e-3, 3.81e-3}, {7.120e-3, 4.18e-3}}};
    int kernel, setup, bins;
    for (kernel = 0; kernel < 3; kernel++)
        for (setup = 0; setup < 3; setup++)
            for (bins = 0; bins < 2; bins++) {
                nrx_ct_geometry g = setup == 0 ? nrx_ct_parallel(256, 256, 180, 363) : setup == 1 ? nrx_ct_parallel(512, 512, 360, 729)
                                                                                    : nrx_ct_fan_flat(512, 512, 360, 729, 1024, 1536, 1.6);
                double e;
                g.kernel = kernel;
                e = phantom_error(g, bins ? -1 : 0);
                CHECK(e <= 1.005 * table[kernel][setup][bins]);
                if (getenv("NRX_TEST_SHOW")) printf("kernel %d setup %d %s: %.4e (%.4e)\n", kernel, setup, bins ? "bins" : "line", e, table[kernel][setup][bins]);
            }
}

/* Joseph and area are of second order on a Gaussian, whose line integrals are Gaussians; area conserves mass to rounding. */
static void orders(void)
{
    int kernel, level, dtype;
    for (kernel = 0; kernel < 3; kernel += 2)
        for (dtype = NRX_F32; dtype <= NRX_F64; dtype++) {
            double error[4] = {0, 0, 0, 0};
            for (level = 0; level < 4; level++) { /* N = 64 to 512 */
                size_t n = (size_t)64 << level, bins = n * 3 / 2, i, j;
                nrx_ct_geometry g = nrx_ct_parallel(n, n, 90, bins);
                void *x = malloc(n * n * 8), *y = malloc(90 * bins * 8);
                double w = 0.07 * (double)n, cx = 0.1 * (double)n, cy = -0.07 * (double)n, power = 0, mass = 0, worst = 0;
                if (!x || !y) exit(2);
                g.dtype = dtype;
                g.kernel = kernel;
                for (i = 0; i < n; i++)
                    for (j = 0; j < n; j++) {
                        double px = (double)j - ((double)n - 1) / 2 - cx, py = ((double)n - 1) / 2 - (double)i - cy, v = exp(-(px * px + py * py) / (2 * w * w));
                        set(x, dtype, i * n + j, v);
                        mass += get(x, dtype, i * n + j);
                    }
                CHECK(nrx_ct_project(&g, x, y) == NRX_OK);
                for (i = 0; i < 90; i++) {
                    double t = nrx_ct_angle(&g, i), sum = 0;
                    for (j = 0; j < bins; j++) {
                        double s = (double)j - ((double)bins - 1) / 2 - cx * cos(t) - cy * sin(t), p = w * sqrt(2 * NRX_PI) * exp(-s * s / (2 * w * w));
                        double v = get(y, dtype, i * bins + j);
                        error[level] += (v - p) * (v - p);
                        power += p * p;
                        sum += v;
                    }
                    if (fabs(sum / mass - 1) > worst) worst = fabs(sum / mass - 1);
                }
                error[level] = sqrt(error[level] / power);
                if (kernel == NRX_CT_AREA) CHECK(worst < (dtype == NRX_F32 ? 1e-6 : 1e-13));
                if (getenv("NRX_TEST_SHOW")) printf("kernel %d dtype %d N %d: error %.3e, mass %.1e\n", kernel, dtype, (int)n, error[level], worst);
                free(x); free(y);
            }
            CHECK(log(error[0] / error[1]) / log(2.0) > 1.9);
            CHECK(log(error[1] / error[2]) / log(2.0) > 1.9);
            CHECK(log(error[2] / error[3]) / log(2.0) > 1.9);
        }
}

/* Three dimensions: adjoints of all kernels for cone, parallel, helix and rolled detectors. */
static void adjoints_3d(void)
{
    nrx_test_rng r = {7};
    double worst[2] = {0, 0};
    int i;
    for (i = 0; i < 120; i++) {
        size_t s = 1 + nrx_test_below(&r, 6), n = 1 + nrx_test_below(&r, 8), c = 1 + nrx_test_below(&r, 8), v = 1 + nrx_test_below(&r, 5), q = 2 + nrx_test_below(&r, 6);
        nrx_ct_geometry g = i % 3 ? nrx_ct_cone(s, n, c, v, q, 1 + nrx_test_below(&r, 9), 12 + 9 * nrx_test_uniform(&r), 25, 1 + nrx_test_uniform(&r))
                                  : nrx_ct_parallel3d(s, n, c, v, q, 1 + nrx_test_below(&r, 9));
        double e;
        g.dtype = i & 1 ? NRX_F64 : NRX_F32;
        g.kernel = (i / 2) % 3;
        if (i >= 60) g.roll = 0.3 * nrx_test_signed(&r); /* upright: area has its footprints */
        g.tilt = 0.3 * nrx_test_signed(&r);
        g.helix_pitch = nrx_test_uniform(&r);
        g.offset_v = nrx_test_signed(&r);
        g.pixel_z = 0.5 + nrx_test_uniform(&r);
        if (nrx_ct_geometry_check(&g) != NRX_OK) continue;
        e = mismatch(&g, &r);
        if (e > worst[i & 1]) worst[i & 1] = e;
    }
    CHECK(worst[0] < 1e-6);
    CHECK(worst[1] < 1e-13);
}

/* The footprint kernel against the mean of 20 x 20 Siddon rays over each bin: both take voxels as constant. In parallel beams it is exact up
   to the rays' own error (borders of slices fall between rays, along u the shadow is piecewise linear), and every view holds the mass. */
static void footprints(void)
{
    enum { N = 12, BINS = 20, FINE = 20, VIEWS = 5 };
    static double x[N * N * N], y[VIEWS * BINS * BINS], z[VIEWS * BINS * BINS * FINE * FINE];
    nrx_test_rng r = {11};
    double mass = 0;
    int kind;
    size_t i, v, a, b, c, d;
    for (i = 0; i < N * N * N; i++) { x[i] = nrx_test_uniform(&r); mass += 0.8 * x[i]; }
    for (kind = 0; kind < 3; kind++) { /* parallel, cone, tilted and helical cone */
        nrx_ct_geometry g = kind ? nrx_ct_cone(N, N, N, VIEWS, BINS, BINS, 60, 90, 1.5) : nrx_ct_parallel3d(N, N, N, VIEWS, BINS, BINS), fine;
        double error = 0, power = 0;
        g.dtype = NRX_F64;
        g.kernel = NRX_CT_AREA;
        g.start = 0.2;
        g.pixel_z = 0.8;
        g.offset_v = 0.3;
        if (kind == 2) { g.tilt = 0.15; g.helix_pitch = 3; g.z_start = -1; g.pitch_v = 1; }
        CHECK(nrx_ct_project(&g, x, y) == NRX_OK);
        fine = g;
        fine.kernel = NRX_CT_SIDDON;
        fine.bins *= FINE;
        fine.bin_rows *= FINE;
        fine.pitch /= FINE;
        fine.pitch_v /= FINE;
        CHECK(nrx_ct_project(&fine, x, z) == NRX_OK);
        for (v = 0; v < VIEWS; v++) {
            double sum = 0;
            for (a = 0; a < BINS; a++)
                for (b = 0; b < BINS; b++) {
                    double mean = 0, got = y[(v * BINS + a) * BINS + b];
                    for (c = 0; c < FINE; c++) for (d = 0; d < FINE; d++) mean += z[((v * BINS + a) * FINE + c) * BINS * FINE + b * FINE + d] / (FINE * FINE);
                    error += (got - mean) * (got - mean);
                    power += mean * mean;
                    sum += got;
                }
            if (kind == 0) CHECK_REL(sum, mass, 1e-13);
        }
        CHECK(sqrt(error / power) < (kind ? 1e-2 : 1e-3));
        if (getenv("NRX_TEST_SHOW")) printf("footprints %d: %.2e from the mean of Siddon rays\n", kind, sqrt(error / power));
    }
}

/* Siddon's lengths add up to the chord of the square; the norm is bracketed; a mask cuts both directions; subsets are subsets. */
static void details(void)
{
    static double x[40 * 30], y[50 * 60], z[50 * 60];
    static unsigned char mask[40 * 30];
    nrx_ct_geometry g = nrx_ct_parallel(40, 30, 50, 60), s;
    nrx_linop op;
    double lo = 0, hi = 0;
    size_t i, j;
    g.dtype = NRX_F64;
    g.start = 0.01;
    g.kernel = NRX_CT_SIDDON;
    for (i = 0; i < 1200; i++) x[i] = 1;
    CHECK(nrx_ct_project(&g, x, y) == NRX_OK);
    for (i = 0; i < 50; i++)
        for (j = 0; j < 60; j++) { /* clip the ray against the box */
            double t = nrx_ct_angle(&g, i), sj = (double)j - 29.5, px = sj * cos(t), py = sj * sin(t), dx = -sin(t), dy = cos(t), a, b;
            double x0 = (-15 - px) / dx, x1 = (15 - px) / dx, y0 = (-20 - py) / dy, y1 = (20 - py) / dy;
            a = (x0 < x1 ? x0 : x1) > (y0 < y1 ? y0 : y1) ? (x0 < x1 ? x0 : x1) : (y0 < y1 ? y0 : y1);
            b = (x0 > x1 ? x0 : x1) < (y0 > y1 ? y0 : y1) ? (x0 > x1 ? x0 : x1) : (y0 > y1 ? y0 : y1);
            CHECK_NEAR(y[i * 60 + j], b > a ? b - a : 0, 1e-10);
        }
    g.kernel = NRX_CT_JOSEPH;
    CHECK(nrx_ct_norm(&g, 30, &lo, &hi) == NRX_OK);
    CHECK(lo > 0 && lo <= hi && hi < 1.001 * lo);
    CHECK(nrx_ct_linop(&g, &op) == NRX_OK && op.norm >= lo && op.norm < 1.3 * lo && op.rows == 3000 && op.cols == 1200);
    CHECK(op.apply(op.user, x, y) == NRX_OK);
    s = nrx_ct_geometry_subset(&g, 3, 7, 0);
    CHECK(s.views == 7);
    CHECK(nrx_ct_sino_subset(&g, y, 3, 7, 0, z) == NRX_OK);
    CHECK(nrx_ct_project(&s, x, y) == NRX_OK);
    for (i = 0; i < 7 * 60; i++) CHECK_NEAR(y[i], z[i], 1e-12);
    nrx_ct_linop_free(&op);
    nrx_ct_linop_free(&op);
    for (i = 0; i < 1200; i++) mask[i] = i % 3 == 0;
    g.mask = mask;
    CHECK(nrx_ct_project(&g, x, y) == NRX_OK && nrx_ct_backproject(&g, y, x) == NRX_OK);
    for (i = 0; i < 1200; i++) CHECK(mask[i] || x[i] == 0);
    for (i = 0; i < 1200; i++) x[i] = mask[i];
    g.mask = NULL;
    CHECK(nrx_ct_project(&g, x, z) == NRX_OK);
    for (i = 0; i < 3000; i++) CHECK_NEAR(y[i], z[i], 1e-13);
}

/* A view turned by a right angle sees the turned image: the same bits. */
static void quarter_turn(void)
{
    enum { N = 24, B = 36 }; /* no ray on a grid line, where either neighbour is right */
    static float a[N * N], b[N * N], ya[B], yb[B];
    nrx_ct_geometry g = nrx_ct_parallel(N, N, 1, B);
    nrx_test_rng r = {4};
    int i, j, k;
    for (k = 0; k < 2; k++) {
        g.kernel = k ? NRX_CT_SIDDON : NRX_CT_JOSEPH;
        for (i = 0; i < N * N; i++) a[i] = (float)nrx_test_uniform(&r);
        for (i = 0; i < N; i++) for (j = 0; j < N; j++) b[(N - 1 - j) * N + i] = a[i * N + j]; /* counter-clockwise */
        g.start = 0;
        CHECK(nrx_ct_project(&g, a, ya) == NRX_OK);
        g.start = NRX_PI / 2;
        CHECK(nrx_ct_project(&g, b, yb) == NRX_OK);
        for (i = 0; i < B; i++) CHECK_NEAR(ya[i], yb[i], 2e-6);
    }
}

static nrx_status project_call(const nrx_env *env)
{
    static float x[64], y[10 * 13];
    nrx_ct_geometry g = nrx_ct_parallel(8, 8, 10, 13);
    nrx_linop op;
    nrx_status status;
    g.env = *env;
    if ((status = nrx_ct_project(&g, x, y)) != NRX_OK || (status = nrx_ct_backproject(&g, y, x)) != NRX_OK) return status;
    status = nrx_ct_linop(&g, &op);
    if (status == NRX_OK) nrx_ct_linop_free(&op);
    return status;
}

static void allocations(void)
{
    nrx_env env = NRX_ZERO;
    nrx_test_heap heap;
    NRX_TEST_EACH_ALLOC(env, heap, project_call(&env), (void)0);
}

/* Bits that must not depend on threads, nor (under NRX_REPRODUCIBLE) on compiler and platform. */
static void checksums(void)
{
    static float x[70 * 90], y[40 * 130];
    int k, i, workers;
    for (k = 0; k < 6; k++) {
        nrx_ct_geometry g = k & 1 ? nrx_ct_fan_flat(70, 90, 40, 130, 200, 300, 1.4) : nrx_ct_parallel(70, 90, 40, 130);
        NRX_TEST_POOL_ENV(g.env, workers);
        g.kernel = k / 2;
        for (i = 0; i < 70 * 90; i++) x[i] = (float)((i * 7919) % 1009) / 1009;
        CHECK(nrx_ct_project(&g, x, y) == NRX_OK && nrx_ct_backproject(&g, y, x) == NRX_OK);
        nrx_test_checksum(k & 1 ? "fan forward" : "parallel forward", y, sizeof y);
        nrx_test_checksum(k & 1 ? "fan adjoint" : "parallel adjoint", x, sizeof x);
    }
    for (k = 0; k < 3; k++) {
        nrx_ct_geometry g = nrx_ct_cone(9, 10, 11, 8, 12, 16, 40, 60, 1.3);
        NRX_TEST_POOL_ENV(g.env, workers);
        g.kernel = k;
        for (i = 0; i < 990; i++) x[i] = (float)((i * 7919) % 1009) / 1009;
        CHECK(nrx_ct_project(&g, x, y) == NRX_OK && nrx_ct_backproject(&g, y, x) == NRX_OK);
        nrx_test_checksum("cone forward", y, 8 * 12 * 16 * sizeof *y);
        nrx_test_checksum("cone adjoint", x, 990 * sizeof *x);
    }
}

int main(void)
{
#if defined(NRX_TEST_ALLOC)
    allocations();
#elif defined(NRX_TEST_THREADS) || defined(NRX_TEST_REPRODUCIBLE)
    checksums();
#else
    adjoints();
    adjoints_3d();
    footprints();
    details();
    quarter_turn();
    allocations();
    checksums();
    orders();
    error_table();
#endif
    return nrx_test_end();
}
