/* The catalogue's Jacobians and exponents, Lyapunov spectra, dimensions, embedding, surrogates, against closed forms and published numbers.
   SPDX-License-Identifier: MIT-0 OR Unlicense */
#include "nrx_test.h"
#define NRX_DYNSYS_IMPLEMENTATION
#include "nrx_dynsys.h"

static nrx_status linear(void *user, double t, const double *y, double *d) { (void)user; (void)t; d[0] = 0.1 * y[0]; d[1] = -0.4 * y[1]; return NRX_OK; }
static nrx_status linear_j(void *user, double t, const double *y, double *J) { (void)user; (void)t; (void)y; J[0] = 0.1; J[1] = J[2] = 0; J[3] = -0.4; return NRX_OK; }
static nrx_status shear(void *user, double t, const double *y, double *d) { (void)user; (void)t; d[0] = 1.1 * y[0] + y[1]; d[1] = 0.8 * y[1]; return NRX_OK; }
static nrx_status shear_j(void *user, double t, const double *y, double *J) { (void)user; (void)t; (void)y; J[0] = 1.1; J[1] = 1; J[2] = 0; J[3] = 0.8; return NRX_OK; }

static double x[60000], pts[60000][3];

static void catalogue(void)
{
    size_t i, flows = 0;
    nrx_dyn_system s;
    CHECK(nrx_dyn_count() >= 60);
    for (i = 0; i < nrx_dyn_count(); i++) {
        double e, y[8];
        size_t j;
        int k;
        CHECK(nrx_dyn_get(i, &s) == NRX_OK);
        flows += s.kind == NRX_DYN_FLOW;
        for (k = 0; k < 3; k++) { /* the start and two points near it (large phases are taken off) */
            for (j = 0; j < s.n; j++) y[j] = (fabs(s.y0[j]) > 300 ? 1 : s.y0[j]) * (1 + 0.1 * k) + 0.01 * k;
            CHECK(nrx_dyn_check_jacobian(&s.field, 0.3, y, &e) == NRX_OK);
            if (!(e < 2e-7)) printf("%s: %g\n", s.name, e);
            CHECK(e < 2e-7);
        }
    }
    CHECK(flows >= 60);
    CHECK(nrx_dyn_find("henon heiles-8", &s) == NRX_OK && s.n == 4);
    CHECK(nrx_dyn_find("Lorentz", &s) == NRX_E_ARG);
    { /* the double pendulum here is the Hamiltonian one: energy 16.02402 from (2, 2.5, 0, 0) stays */
        double t[2] = {0, 20}, y[8], c, D;
        nrx_dyn_solve_desc d = NRX_ZERO;
        d.method = NRX_DYN_DOP853; d.rtol = d.atol = 1e-12;
        CHECK(nrx_dyn_find("DoublePendulum", &s) == NRX_OK);
        CHECK(nrx_dyn_solve(&s.field, s.y0, 2, t, y, &d, NULL) == NRX_OK);
        c = cos(y[4] - y[5]);
        D = 2 - c * c;
        CHECK_NEAR((y[6] * y[6] + 2 * y[7] * y[7] - 2 * y[6] * y[7] * c) / (2 * D) - 2 * 9.81 * cos(y[4]) - 9.81 * cos(y[5]), 16.024020, 1e-5);
    }
    { /* Lorenz-96 of any size */
        double p[2], y[40], e;
        nrx_vfield f;
        for (i = 0; i < 40; i++) y[i] = sin((double)i);
        CHECK(nrx_dyn_lorenz96(p, 40, 8, &f) == NRX_OK);
        CHECK(nrx_dyn_check_jacobian(&f, 0, y, &e) == NRX_OK && e < 1e-7);
    }
}

static void lyapunov(void)
{
    nrx_vfield f = {linear, linear_j, NULL, 2}, m = {shear, shear_j, NULL, 2};
    double y0[2] = {1e-3, 1e-3}, l[4], e[4];
    nrx_dyn_lyapunov_desc d = NRX_ZERO;
    nrx_dyn_lyapunov_info info;
    nrx_dyn_system s;
    d.time = 50;
    CHECK(nrx_dyn_lyapunov(&f, y0, &d, l, e, &info) == NRX_OK);
    CHECK_NEAR(l[0], 0.1, 1e-9);
    CHECK_NEAR(l[1], -0.4, 1e-9);
    f.jac = NULL; /* by differences along the tangents */
    CHECK(nrx_dyn_lyapunov(&f, y0, &d, l, e, NULL) == NRX_OK);
    CHECK_NEAR(l[0], 0.1, 1e-6);
    d.kind = NRX_DYN_MAP; d.time = 2000;
    { double z[2] = {0, 0}; CHECK(nrx_dyn_lyapunov(&m, z, &d, l, e, NULL) == NRX_OK); }
    CHECK_NEAR(l[0], log(1.1), 1e-3);
    CHECK_NEAR(l[1], log(0.8), 1e-3);
    CHECK(nrx_dyn_find("CatMap", &s) == NRX_OK);
    CHECK(nrx_dyn_lyapunov(&s.field, s.y0, &d, l, e, NULL) == NRX_OK);
    CHECK_NEAR(l[0], log((3 + sqrt(5.0)) / 2), 1e-12);
    CHECK(nrx_dyn_find("Henon", &s) == NRX_OK);
    d.time = 100000;
    CHECK(nrx_dyn_lyapunov(&s.field, s.y0, &d, l, e, &info) == NRX_OK);
    CHECK_NEAR(l[0], 0.4192, 3 * e[0] + 2e-4);
    CHECK_NEAR(info.sum, log(0.3), 1e-10);
    CHECK_NEAR(info.kaplan_yorke, 1.258, 0.003);
    memset(&d, 0, sizeof d);
    d.time = 2000;
    CHECK(nrx_dyn_find("Lorenz63", &s) == NRX_OK);
    CHECK(nrx_dyn_lyapunov(&s.field, s.y0, &d, l, e, &info) == NRX_OK);
    CHECK_NEAR(l[0], 0.9056, 0.02);
    CHECK_NEAR(l[1], 0, 0.005);
    CHECK_NEAR(info.sum, -41.0 / 3, 1e-6);
    CHECK_NEAR(info.divergence, -41.0 / 3, 1e-10);
    CHECK_NEAR(info.kaplan_yorke, 2.062, 0.005);
    CHECK(nrx_dyn_find("HenonHeiles6", &s) == NRX_OK);
    CHECK(nrx_dyn_lyapunov(&s.field, s.y0, &d, l, e, &info) == NRX_OK);
    CHECK_NEAR(l[0] + l[3], 0, 1e-6); /* symplectic pairs */
    CHECK_NEAR(l[1] + l[2], 0, 1e-6);
    { double u[3] = {-14.57, 0.9056, 0}, z[2] = {-1, -2}; CHECK_NEAR(nrx_dyn_kaplan_yorke(3, u), 2.06215, 1e-4); CHECK(nrx_dyn_kaplan_yorke(2, z) == 0); }
    { /* covariant vectors of a constant matrix are its eigenvectors: (1, 0) and (1, -0.3) */
        double V[4], g[2], z[2] = {0, 0};
        CHECK(nrx_dyn_covariant(&m, NRX_DYN_MAP, z, 1, 100, 1, 100, V, NULL, g, NULL) == NRX_OK);
        CHECK_NEAR(fabs(V[2]), 0, 1e-12);
        CHECK_NEAR(V[3] / V[1], -0.3, 1e-12);
        CHECK_NEAR(nrx_dyn_splitting_angle(2, 1, V), atan(0.3), 1e-12);
    }
}

static void series(void)
{
    size_t i, n = 2000, counts[16], found;
    double S[20], t[20], K, I[40], share[5], C[12], r[12], fp[9], ev[18];
    int stable[3];
    nrx_dyn_system s;
    nrx_dyn_solve_desc sd = NRX_ZERO;
    static double times[20000], lor[20000][3];
    for (i = 0; i < 20; i++) t[i] = (double)i;
    x[0] = 0.3;
    for (i = 1; i < 4000; i++) x[i] = 4 * x[i - 1] * (1 - x[i - 1]);
    CHECK(nrx_dyn_divergence(n, x + 1000, 2, 1, 1, 0, 5, S) == NRX_OK);
    CHECK_NEAR(nrx_dyn_slope(6, t, S, NULL), log(2.0), 0.05);
    CHECK(nrx_dyn_divergence(n, x + 1000, 2, 1, 1, 0.01, 5, S) == NRX_OK);
    CHECK_NEAR(nrx_dyn_slope(5, t, S, NULL), log(2.0), 0.15);
    CHECK(nrx_dyn_test01(n, x + 1000, 100, 1, &K) == NRX_OK && K > 0.95);
    x[0] = 0.3;
    for (i = 1; i < 4000; i++) x[i] = 3.55 * x[i - 1] * (1 - x[i - 1]);
    CHECK(nrx_dyn_test01(n, x + 1000, 100, 1, &K) == NRX_OK && fabs(K) < 0.1);
    CHECK(nrx_dyn_find("Henon", &s) == NRX_OK);
    CHECK(nrx_dyn_iterate(&s.field, s.y0, 1000, 8000, &pts[0][0]) == NRX_OK);
    for (i = 0; i < 8; i++) r[i] = 0.01 * pow(1.5, (double)i);
    CHECK(nrx_dyn_correlation_sum(8000, 2, &pts[0][0], 2, 8, r, C) == NRX_OK);
    for (i = 0; i < 8; i++) { r[i] = log(r[i]); C[i] = log(C[i]); }
    CHECK_NEAR(nrx_dyn_slope(8, r, C, NULL), 1.2, 0.06);
    { /* Sierpinski triangle by the chaos game on 2^20 cells: 3^k boxes exactly */
        uint64_t seed = 88172645463325252u;
        double a = 0, b = 0;
        for (i = 0; i < 30000; i++) {
            int c;
            seed ^= seed << 13; seed ^= seed >> 7; seed ^= seed << 17;
            c = (int)(seed % 3);
            a = (a + (c == 1)) / 2; b = (b + (c == 2)) / 2;
            ((double *)pts)[2 * i] = a; ((double *)pts)[2 * i + 1] = b;
        }
        ((double *)pts)[0] = ((double *)pts)[1] = 0; /* the corners fix the cube to [0, 1) */
        ((double *)pts)[2] = 1 - 1e-12; ((double *)pts)[3] = 0;
        CHECK(nrx_dyn_box_counts(30000, 2, &pts[0][0], 6, counts) == NRX_OK);
        for (i = 0; i < 6; i++) CHECK(counts[i] == (size_t)(pow(3, (double)(i + 1)) + 0.5));
    }
    CHECK(nrx_dyn_find("Lorenz63", &s) == NRX_OK);
    for (i = 0; i < 20000; i++) times[i] = 0.01 * (double)i;
    sd.method = NRX_DYN_DOP853;
    CHECK(nrx_dyn_solve(&s.field, s.y0, 20000, times, lor[0], &sd, NULL) == NRX_OK);
    for (i = 0; i < 20000; i++) x[i] = lor[i][0];
    CHECK(nrx_dyn_mutual_information(20000, x, 39, 32, I) == NRX_OK);
    for (i = 1; i < 39 && !(I[i] < I[i - 1] && I[i] <= I[i + 1]); i++) { }
    CHECK_NEAR((double)i, 16, 2);
    CHECK_NEAR(I[0], 3.287, 0.1);
    CHECK(nrx_dyn_false_neighbours(3000, x, 4, 17, 50, share) == NRX_OK);
    CHECK(share[0] > 0.9 && share[1] < 0.15 && share[2] < 0.02);
    { double lo[3] = {-30, -30, -5}, hi[3] = {30, 30, 50}; CHECK(nrx_dyn_fixed_points(&s.field, NRX_DYN_FLOW, lo, hi, 200, 1, 3, fp, ev, stable, &found) == NRX_OK); }
    CHECK(found == 3 && !stable[0] && !stable[1] && !stable[2]);
    for (i = 0; i < 3; i++) CHECK(fabs(fp[3 * i]) < 1e-9 || fabs(fabs(fp[3 * i]) - sqrt(72.0)) < 1e-9);
    for (i = 0; i < 3; i++) { double sum = 0; int k; for (k = 0; k < 3; k++) sum += ev[6 * i + 2 * (size_t)k]; CHECK_NEAR(sum, -41.0 / 3, 1e-9); }
    { /* recurrences of a period-4 orbit: rate 1/4, everything on lines */
        nrx_dyn_recurrence q;
        double p[200];
        for (i = 0; i < 200; i++) p[i] = (double)(i % 4);
        CHECK(nrx_dyn_recurrences(200, 1, p, 0.1, 1, 2, &q) == NRX_OK);
        CHECK_NEAR(q.rate, 0.25, 0.01);
        CHECK_NEAR(q.determinism, 1, 1e-12);
        CHECK(q.longest_line == 196 && q.laminarity == 0);
    }
    { /* a doubling cascade: the logistic map has 2 points at 3.2, 4 at 3.5 */
        double par[1], val[2] = {3.2, 3.5}, out[16];
        nrx_vfield f;
        CHECK(nrx_dyn_find("Logistic", &s) == NRX_OK);
        f = s.field; f.user = par;
        CHECK(nrx_dyn_orbit_diagram(&f, NRX_DYN_MAP, s.y0, par, 2, val, 0, 2000, 8, out, NULL) == NRX_OK);
        CHECK_NEAR(out[0], out[2], 1e-9);
        CHECK(fabs(out[0] - out[1]) > 0.1 && fabs(out[8] - out[10]) > 0.01);
        CHECK_NEAR(out[8], out[12], 1e-9);
    }
    { /* surrogates keep what they promise */
        static double a[1000], b[1000], pa[501], pb[501];
        int kind;
        for (i = 0; i < 1000; i++) a[i] = x[10 * i];
        for (kind = 0; kind < 4; kind++) {
            double worst = 0, total = 0;
            CHECK(nrx_dyn_surrogate(kind, 1000, a, 5, b, NULL) == NRX_OK);
            CHECK(nrx_dyn_power_spectrum(1000, a, pa, NULL) == NRX_OK && nrx_dyn_power_spectrum(1000, b, pb, NULL) == NRX_OK);
            for (i = 1; i <= 500; i++) { worst = fmax(worst, fabs(pa[i] - pb[i])); total += pa[i]; }
            if (kind == NRX_DYN_FT) CHECK(worst < 1e-9 * total);
            if (kind == NRX_DYN_IAAFT) CHECK(worst < 0.02 * total);
            if (kind != NRX_DYN_FT) {
                double m = 0;
                nrxi_dyn_sort(1000, b);
                memcpy(pb, b, sizeof pb);
                { static double c[1000]; memcpy(c, a, sizeof c); nrxi_dyn_sort(1000, c); for (i = 0; i < 1000; i++) m = fmax(m, fabs(b[i] - c[i])); }
                CHECK(m == 0);
            }
        }
    }
    CHECK(nrx_dyn_divergence(10, x, 3, 5, 5, 0, 5, S) == NRX_E_ARG);
    for (i = 0; i < 200; i++) x[i] = 1;
    CHECK(nrx_dyn_divergence(200, x, 2, 1, 1, 0, 5, S) == NRX_E_NUMERIC);
}

/* A point of the Cantor set of two contractions l, m with weights p, 1 - p; its D2 solves p^2 l^-D + (1-p)^2 m^-D = 1. */
static double cantor(nrx_rng *r, double p, double l, double m)
{
    double v = 0, s = 1;
    int k;
    for (k = 0; k < 40; k++)
        if (nrx_rng_uniform(r) < p) s *= l;
        else { v += s * (1 - m); s *= m; }
    return v;
}

static void dimension(size_t n, size_t d, const double *p, size_t theiler, double want, double worst, int logarithm)
{
    nrx_dyn_dimension_desc o = NRX_ZERO;
    nrx_dyn_dimension_info f;
    size_t i;
    o.theiler = theiler;
    o.budget = n > 60000 ? 1e8 : 4e7;
    memset(&f, 0, sizeof f);
    CHECK(nrx_dyn_correlation_dimension(n, d, p, &o, &f) == NRX_OK && f.bins >= 8 && f.bins <= 48);
    CHECK_NEAR(f.dimension, want, fmax(0.01, 3 * f.error));
    CHECK(f.error > 0 && f.error < worst && f.plain_error > 0);
    CHECK((f.log_term > 0) == logarithm && (logarithm ? f.other < f.dimension : f.other >= f.dimension));
    if (logarithm) CHECK(f.plain < want - 0.1); /* what the extrapolation is for */
    for (i = 1; i < f.bins; i++) CHECK_REL(f.radius[i] * sqrt(2.0), f.radius[i - 1], 1e-12);
}

/* Sets whose correlation dimension is known exactly: within 3 standard errors, which stay below 0.04. */
static void correlation(void)
{
    nrx_dyn_dimension_info f;
    nrx_dyn_dimension_desc o = NRX_ZERO;
    double D = 0.5, *p = (double *)pts;
    nrx_rng r;
    size_t i;
    nrx_rng_seed(&r, 11, 0);
    for (i = 0; i < 60000; i++) x[i] = nrx_rng_uniform(&r);
    dimension(60000, 1, x, 0, 1, 0.04, 0);
    dimension(30000, 2, x, 0, 2, 0.04, 0);
    for (i = 0; i < 30000; i++) { x[2 * i] = cantor(&r, 0.6, 0.35, 0.15); x[2 * i + 1] = nrx_rng_uniform(&r); }
    for (i = 0; i < 100; i++) D -= (0.36 * pow(0.35, -D) + 0.16 * pow(0.15, -D) - 1) / (0.36 * 1.05 * pow(0.35, -D) + 0.16 * 1.9 * pow(0.15, -D));
    dimension(30000, 2, x, 0, 1 + D, 0.04, 0);
    for (x[0] = 0.3, i = 1; i < 60000; i++) x[i] = 4 * x[i - 1] * (1 - x[i - 1]);
    dimension(60000, 1, x, 60, 1, 0.04, 1);
    for (i = 0; i < 90000; i++) { double v = sin(0.5 * NRX_PI * nrx_rng_uniform(&r)); p[2 * i] = v * v; p[2 * i + 1] = nrx_rng_uniform(&r); }
    dimension(90000, 2, p, 0, 2, 0.08, 1);
    for (i = 0; i < 60000; i++) x[i] = nrx_rng_uniform(&r);
    CHECK(nrx_dyn_correlation_dimension(999, 1, x, NULL, &f) == NRX_E_ARG);
    CHECK(nrx_dyn_correlation_dimension(30000, 2, x, NULL, NULL) == NRX_E_ARG);
    o.theiler = 20000;
    CHECK(nrx_dyn_correlation_dimension(30000, 2, x, &o, &f) == NRX_E_ARG);
    CHECK(nrx_dyn_correlation_dimension(1000, 2, x, NULL, &f) == NRX_E_NUMERIC); /* too few pairs */
    x[77] = NAN;
    CHECK(nrx_dyn_correlation_dimension(30000, 2, x, NULL, &f) == NRX_E_ARG);
    for (i = 0; i < 2000; i++) x[i] = 3.5;
    CHECK(nrx_dyn_correlation_dimension(2000, 1, x, NULL, &f) == NRX_E_NUMERIC);
    for (i = 0; i < 4000; i++) x[i] = (double)(i % 2); /* two points, every distance 0 or 1 */
    CHECK(nrx_dyn_correlation_dimension(4000, 1, x, NULL, &f) == NRX_E_NUMERIC);
}

int main(void)
{
    catalogue();
    lyapunov();
    series();
    correlation();
    return nrx_test_end();
}
