/* Long: correlation dimensions extrapolated to radius zero, 1e6 points each, with the default radii: sets of exactly known dimension, then
   attractors against published extrapolated values and errors (Sprott & Rowlands, Int. J. Bifurcation Chaos 11 (2001) 1865).
   SPDX-License-Identifier: MIT-0 OR Unlicense
   Exact sets: within max(0.01, 3 standard errors), the standard error below 0.04. Attractors: within the published error. */
#include "../nrx_test.h"
#define NRX_DYNSYS_IMPLEMENTATION
#include "nrx_dynsys.h"

enum { N = 1000000 };
static double x[3 * N], t[N];

static void dimension(const char *name, size_t d, size_t theiler, double want, double tol)
{
    nrx_dyn_dimension_desc o = NRX_ZERO;
    nrx_dyn_dimension_info f;
    o.theiler = theiler;
    memset(&f, 0, sizeof f);
    CHECK(nrx_dyn_correlation_dimension(N, d, x, &o, &f) == NRX_OK && f.bins >= 8);
    printf("%-24s %.4f +- %.4f (%.4f), plain slope %.4f, log term %.3f, misfit %.2f, %zu half octaves from %.2g to %.2g\n", name,
        f.dimension, f.error, want, f.plain, f.log_term, f.misfit, f.bins, f.radius[0], f.radius[f.bins - 1]);
    if (getenv("NRX_SLOPES")) {
        size_t i;
        for (i = 0; i < f.bins; i++) printf(" %.4f(%.4f)", f.slope[i], f.slope_error[i]);
        printf("\n");
    }
    fflush(stdout);
    if (tol > 0) CHECK_NEAR(f.dimension, want, tol);
    else { CHECK_NEAR(f.dimension, want, fmax(0.01, 3 * f.error)); CHECK(f.error < 0.04); }
}

/* A point of the Cantor set of two contractions l, m with weights p, 1 - p. */
static double cantor(nrx_rng *r, double p, double l, double m)
{
    double v = 0, s = 1;
    int k;
    for (k = 0; k < 50; k++)
        if (nrx_rng_uniform(r) < p) s *= l;
        else { v += s * (1 - m); s *= m; }
    return v;
}

/* Its D2: p^2 l^-D + (1-p)^2 m^-D = 1. */
static double moran(double p, double l, double m)
{
    double lo = 0, hi = 1;
    int k;
    for (k = 0; k < 60; k++) {
        double D = 0.5 * (lo + hi);
        if (p * p * pow(l, -D) + (1 - p) * (1 - p) * pow(m, -D) < 1) lo = D;
        else hi = D;
    }
    return lo;
}

static void flow(const char *name, double dt, size_t theiler, double want, double tol)
{
    nrx_dyn_system s;
    nrx_dyn_solve_desc d = NRX_ZERO;
    double y[2 * 3], span[2];
    size_t i;
    CHECK(nrx_dyn_find(name, &s) == NRX_OK && s.n == 3);
    d.method = NRX_DYN_DOP853; d.rtol = d.atol = 1e-9; d.max_steps = 100000000;
    span[0] = 0; span[1] = 200 * s.period;
    CHECK(nrx_dyn_solve(&s.field, s.y0, 2, span, y, &d, NULL) == NRX_OK);
    for (i = 0; i < N; i++) t[i] = dt * (double)i;
    CHECK(nrx_dyn_solve(&s.field, y + 3, N, t, x, &d, NULL) == NRX_OK);
    dimension(name, 3, theiler, want, tol);
}

int main(void)
{
    nrx_dyn_system s;
    nrx_rng r;
    size_t i;
    nrx_rng_seed(&r, 5, 0);
    for (i = 0; i < 2 * N; i++) x[i] = nrx_rng_uniform(&r);
    dimension("square", 2, 0, 2, 0);
    for (i = 0; i < N; i++) { x[2 * i] = cantor(&r, 0.7, 0.25, 0.4); x[2 * i + 1] = nrx_rng_uniform(&r); }
    dimension("generalised baker's map", 2, 0, 1 + moran(0.7, 0.25, 0.4), 0);
    for (i = 0; i < N; i++) { double v = sin(0.5 * NRX_PI * nrx_rng_uniform(&r)); x[2 * i] = v * v; x[2 * i + 1] = nrx_rng_uniform(&r); }
    dimension("arcsine density x line", 2, 0, 2, 0);
    for (x[0] = 0.3, i = 1; i < N; i++) x[i] = 4 * x[i - 1] * (1 - x[i - 1]);
    dimension("logistic map, r = 4", 1, 60, 1, 0);
    CHECK(nrx_dyn_find("Henon", &s) == NRX_OK && nrx_dyn_iterate(&s.field, s.y0, 1000, N, x) == NRX_OK);
    dimension("Henon", 2, 60, 1.220, 0.036);
    flow("Lorenz63", 0.1, 100, 2.068, 0.086);
    flow("Rossler", 0.5, 100, 1.991, 0.065);
    return nrx_test_end();
}
