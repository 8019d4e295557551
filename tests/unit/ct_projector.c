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

/* |<Ax,y> - <x,A'y>| / (|Ax| |y|) for random signed x, y; the zero operator passes when both sides are zero. */
static double mismatch(const nrx_ct_geometry *g, nrx_test_rng *r)
{
    size_t n = nrx_ct_image_size(g), m = nrx_ct_sino_size(g), i;
    void *x = malloc(n * 8), *y = malloc(m * 8), *ax = malloc(m * 8), *aty = malloc(n * 8);
    double left, right, scale, result = 1;
    if (x && y && ax && aty) {
        for (i = 0; i < n; i++) set(x, g->dtype, i, nrx_test_signed(r));
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
    nrx_test_rng r = {2026};
    double worst[2] = {0, 0};
    int i;
    for (i = 0; i < 400; i++) {
        nrx_ct_geometry g = random_geometry(&r, angles, vectors);
        double e;
        g.dtype = i & 1 ? NRX_F64 : NRX_F32;
        if (nrx_ct_geometry_check(&g) != NRX_OK) continue; /* a source inside the image */
        e = mismatch(&g, &r);
        if (e > worst[i & 1]) worst[i & 1] = e;
    }
    CHECK(worst[0] < 1e-6);
    CHECK(worst[1] < 1e-13);
    if (getenv("NRX_TEST_SHOW")) printf("adjoint mismatch: f32 %.2e, f64 %.2e\n", worst[0], worst[1]);
}

int main(void)
{
    adjoints();
    return nrx_test_end();
}
