/* Discoverability: null dimensions of clean data, verdicts and invariants at one per cent of noise, streaming, first integrals.
   SPDX-License-Identifier: MIT-0 OR Unlicense
   run: alloc */
#include "nrx_test.h"
#define NRX_DYNSYS_IMPLEMENTATION
#include "nrx_dynsys.h"
#include "nrx_test.h"

enum { N = 5000 };
static double t[N], x[N * 6];

/* Samples of a catalogue system after `skip`, with relative noise. */
static nrx_dyn_data orbit(const char *name, double skip, double span, double noise, const double *start)
{
    nrx_dyn_system s;
    nrx_dyn_solve_desc d = NRX_ZERO;
    nrx_dyn_data q;
    double y[12], tt[2];
    size_t i, j;
    nrx_rng r;
    CHECK(nrx_dyn_find(name, &s) == NRX_OK);
    d.method = NRX_DYN_DOP853; d.rtol = d.atol = 1e-12;
    memcpy(y, start ? start : s.y0, s.n * sizeof(double));
    tt[0] = 0; tt[1] = skip;
    if (skip > 0) { CHECK(nrx_dyn_solve(&s.field, start ? start : s.y0, 2, tt, y, &d, NULL) == NRX_OK); memmove(y, y + s.n, s.n * sizeof(double)); }
    for (i = 0; i < N; i++) t[i] = span * (double)i / N;
    CHECK(nrx_dyn_solve(&s.field, y, N, t, x, &d, NULL) == NRX_OK);
    nrx_rng_seed(&r, 7, 0);
    for (j = 0; j < s.n && noise > 0; j++) {
        double m = 0, v = 0;
        for (i = 0; i < N; i++) m += x[i * s.n + j] / N;
        for (i = 0; i < N; i++) v += (x[i * s.n + j] - m) * (x[i * s.n + j] - m) / N;
        for (i = 0; i < N; i++) x[i * s.n + j] += noise * sqrt(v) * nrx_rng_normal(&r);
    }
    memset(&q, 0, sizeof q);
    q.n = N; q.d = s.n; q.x = x; q.dt = span / N;
    return q;
}

static nrx_dyn_audit_report *audit(nrx_dyn_data q, int degree, double noise, int logs)
{
    nrx_dyn_audit_desc d = NRX_ZERO;
    nrx_dyn_audit_report *r = NULL;
    d.library.degree = degree;
    d.library.logarithms = logs;
    d.noise = noise;
    CHECK(nrx_dyn_audit(&q, &d, &r) == NRX_OK);
    return r;
}

static void clean(const char *name, double skip, double span, int degree, const size_t *null, const double *ratio)
{
    nrx_dyn_audit_report *r = audit(orbit(name, skip, span, 0, NULL), degree, -1, 0);
    int g, any = 0;
    for (g = 0; g < degree; g++) {
        CHECK(r->degree[g].null == null[g]);
        any |= null[g] > 0;
        if (ratio[g] > 0) CHECK(fabs(log(r->degree[g].ratio / ratio[g])) < log(2.0)); /* within a factor of two of the reference */
    }
    CHECK(r->verdict == (any ? NRX_DYN_OBSTRUCTED : r->verdict));
    CHECK(any || r->verdict >= NRX_DYN_UNIQUE);
    nrx_dyn_audit_free(r);
}

static void clean_all(void)
{
    static const size_t none[7] = {0, 0, 0, 0, 0, 0, 0}, oscillator[7] = {0, 1, 3, 6, 10, 15, 21}, body[4] = {0, 2, 8, 19}, hh[4] = {0, 0, 1, 5};
    static const double lor[4] = {2.6e-1, 1.9e-2, 1.9e-3, 1.05e-4}, ros[4] = {0, 6.4e-2, 2.5e-3, 7.1e-5}, zero[7] = {0, 0, 0, 0, 0, 0, 0},
                        lv[4] = {0, 6.1e-2, 1.9e-4, 2.9e-8}, vdp[4] = {0, 7.6e-2, 3.9e-2, 1.0e-3}, l96[3] = {.43, 6.1e-2, 1.7e-2};
    nrx_dyn_audit_report *r;
    clean("Lorenz63", 50, 100, 4, none, lor);
    clean("Rossler", 200, 500, 4, none, ros);
    clean("HarmonicOscillator", 0, 100, 7, oscillator, zero);
    clean("RigidBody", 0, 200, 4, body, zero);
    clean("LotkaVolterra", 0, 100, 4, none, lv);
    clean("VanDerPol", 50, 100, 4, none, vdp);
    clean("Lorenz96", 50, 200, 3, none, l96);
    clean("HenonHeiles8", 0, 2000, 4, hh, zero);
    r = audit(orbit("LotkaVolterra", 0, 100, 0, NULL), 1, -1, 1);
    CHECK(r->verdict == NRX_DYN_OBSTRUCTED && r->n_integrals == 1 && r->n_terms == 5);
    CHECK_NEAR(r->integral[0], -2.306853, 1e-6); /* -(3 - ln 2), x, y, -ln x, -ln y */
    CHECK_NEAR(r->integral[2], 1, 1e-8);
    CHECK_NEAR(r->integral[3], -1, 1e-8);
    nrx_dyn_audit_free(r);
}

static void noisy(void)
{
    nrx_dyn_audit_report *r;
    int g;
    for (g = 2; g <= 4; g++) {
        r = audit(orbit("Lorenz63", 50, 100, 0.01, NULL), g, 0.01, 0);
        CHECK(r->verdict == (g == 2 ? NRX_DYN_UNIQUE : NRX_DYN_UNDECIDED) || (g == 2 && r->verdict == NRX_DYN_ANALYTIC));
        CHECK(strstr(r->text, g == 2 ? "UNIQUE" : "UNDECIDED at this noise") != NULL && strstr(r->text, "relative noise 0.01") != NULL);
        nrx_dyn_audit_free(r);
        r = audit(orbit("Rossler", 200, 500, 0.01, NULL), g, 0.01, 0);
        CHECK(r->verdict == (g == 2 ? NRX_DYN_UNIQUE : NRX_DYN_UNDECIDED));
        nrx_dyn_audit_free(r);
    }
    r = audit(orbit("HarmonicOscillator", 0, 100, 0.01, NULL), 2, 0, 0); /* noise estimated */
    CHECK_NEAR(r->noise, 0.01, 0.001);
    CHECK(r->verdict == NRX_DYN_OBSTRUCTED && r->degree[1].null == 1);
    CHECK_NEAR(r->integral[3], 1, 1e-2);
    CHECK_NEAR(r->integral[5], 1, 1e-2);
    CHECK_NEAR(r->integral[0], -1, 1e-2);
    CHECK(r->integral[1] == 0 && r->integral[4] == 0);
    nrx_dyn_audit_free(r);
    r = audit(orbit("RigidBody", 0, 200, 0.01, NULL), 2, 0.01, 0); /* x0^2 - x2^2/3 = .91667, .75 x1^2 + x2^2 = .3175 */
    CHECK(r->verdict == NRX_DYN_OBSTRUCTED && r->n_integrals == 2);
    for (g = 0; g < 2; g++) {
        const double *c = r->integral + 10 * g;
        CHECK(c[1] == 0 && c[2] == 0 && c[3] == 0);
        CHECK_NEAR(c[4] * 1.0 + c[7] * 0.09 + c[9] * 0.25 + c[0], 0, 2e-3); /* holds at the start (1, .3, .5) */
        CHECK_NEAR(c[7] - 0.25 * c[4] - 0.75 * c[9], 0, 1e-2);              /* and is a combination of the two quadrics */
    }
    nrx_dyn_audit_free(r);
    r = audit(orbit("LotkaVolterra", 0, 100, 0.01, NULL), 1, 0.01, 1);
    CHECK(r->verdict == NRX_DYN_OBSTRUCTED);
    CHECK_NEAR(r->integral[2] / r->integral[1], 1, 0.02);
    CHECK_NEAR(r->integral[3] / r->integral[1], -1, 0.02);
    nrx_dyn_audit_free(r);
    r = audit(orbit("HenonHeiles8", 0, 2000, 0.01, NULL), 3, 0.01, 0); /* the energy 1/8, with x^2 y - y^3/3 */
    CHECK(r->verdict == NRX_DYN_OBSTRUCTED && r->n_integrals == 1 && r->integral_degree == 3);
    { double k = r->integral[5] / 0.5; CHECK_NEAR(r->integral[0] / k, -0.125, 2e-3); CHECK_NEAR(r->integral[16] / k, 1, 0.02); CHECK_NEAR(r->integral[25] / k, -1.0 / 3, 0.02); }
    nrx_dyn_audit_free(r);
}

static void integrals(void)
{
    static const size_t want[5] = {0, 1, 1, 1, 2}, spring[3] = {1, 1, 2};
    nrx_dyn_system s;
    double lo[4] = {-1, -1, -1, -1}, hi[4] = {1, 1, 1, 1}, ratio, blo[3] = {-20, -20, -20}, bhi[3] = {20, 20, 20};
    size_t null;
    int g;
    CHECK(nrx_dyn_find("HenonHeiles", &s) == NRX_OK);
    for (g = 2; g <= 6; g++) { CHECK(nrx_dyn_first_integrals(&s.field, lo, hi, g, 2000, 1, 0, NULL, &null, NULL) == NRX_OK); CHECK(null == want[g - 2]); }
    CHECK(nrx_dyn_find("HarmonicOscillator", &s) == NRX_OK);
    for (g = 2; g <= 4; g++) { CHECK(nrx_dyn_first_integrals(&s.field, lo, hi, g, 2000, 1, 0, NULL, &null, NULL) == NRX_OK); CHECK(null == spring[g - 2]); }
    CHECK(nrx_dyn_find("Lorenz63", &s) == NRX_OK);
    for (g = 2; g <= 4; g += 2) { CHECK(nrx_dyn_first_integrals(&s.field, blo, bhi, g, 2000, 1, 0, NULL, &null, &ratio) == NRX_OK); CHECK(null == 0 && ratio > 1e-3); }
    { /* circles r = 1, 1.5, 2 without a field: functions constant on each orbit: 0, 1, 1, 2 for degree 1 to 4 */
        static const size_t circles[4] = {0, 1, 1, 2};
        size_t i, len[3] = {300, 300, 300};
        nrx_dyn_data q;
        nrx_dyn_audit_desc d = NRX_ZERO;
        nrx_dyn_audit_report *r;
        for (i = 0; i < 900; i++) { double a = 0.07 * (double)i, b = 1 + 0.5 * (double)(i / 300); x[2 * i] = b * cos(a); x[2 * i + 1] = b * sin(a); }
        memset(&q, 0, sizeof q);
        q.n = 900; q.d = 2; q.x = x; q.dt = 0.07; q.n_trajectories = 3; q.lengths = len;
        d.library.degree = 4; d.noise = -1; d.centre_orbits = 1;
        CHECK(nrx_dyn_audit(&q, &d, &r) == NRX_OK);
        for (i = 0; i < 4; i++) CHECK(r->degree[i].null == circles[i] + 1); /* the centred constant vanishes too */
        nrx_dyn_audit_free(r);
    }
}

static void streaming_and_errors(void)
{
    nrx_dyn_audit_desc d = NRX_ZERO;
    nrx_dyn_auditor *a;
    nrx_dyn_audit_report *r, *whole;
    nrx_dyn_data q = orbit("HarmonicOscillator", 0, 100, 0.01, NULL);
    nrx_test_log_state log = {0, 0, {0}};
    size_t i;
    d.library.degree = 3; d.noise = 0.01;
    CHECK(nrx_dyn_audit(&q, &d, &whole) == NRX_OK);
    CHECK(nrx_dyn_auditor_create(2, &d, &a) == NRX_OK);
    for (i = 0; i < N; i += 1000) CHECK(nrx_dyn_auditor_push(a, 1000, x + 2 * i) == NRX_OK);
    CHECK(nrx_dyn_auditor_finish(a, &r) == NRX_OK);
    CHECK(r->samples == N && r->verdict == whole->verdict && r->degree[2].null == whole->degree[2].null);
    CHECK_REL(r->degree[1].gamma, whole->degree[1].gamma, 0.02);
    nrx_dyn_audit_free(r);
    nrx_dyn_audit_free(whole);
    nrx_dyn_auditor_free(a);
    NRX_TEST_LOG_ENV(d.env, log);
    q.n = 5; CHECK(nrx_dyn_audit(&q, &d, &r) == NRX_E_ARG);
    q.n = N; for (i = 0; i < N; i++) x[2 * i] = 1;
    CHECK(nrx_dyn_audit(&q, &d, &r) == NRX_E_NUMERIC); CHECK(strstr(log.last, "constant") != NULL);
    for (i = 0; i < N; i++) x[2 * i] = HUGE_VAL - HUGE_VAL;
    CHECK_ALWAYS(nrx_dyn_audit(&q, &d, &r) == NRX_E_NUMERIC);
}

int main(void)
{
#if defined(NRX_TEST_ALLOC)
    nrx_test_heap heap;
    nrx_dyn_audit_desc d = NRX_ZERO;
    nrx_dyn_audit_report *r;
    nrx_dyn_data q = orbit("HarmonicOscillator", 0, 100, 0.01, NULL);
    q.n = 300;
    d.library.degree = 2; d.noise = 0.01;
    (void)clean_all; (void)noisy; (void)integrals; (void)streaming_and_errors;
    NRX_TEST_EACH_ALLOC(d.env, heap, nrx_dyn_audit(&q, &d, &r), nrx_dyn_audit_free(r));
    return nrx_test_end();
#else
    clean_all();
    noisy();
    integrals();
    streaming_and_errors();
    return nrx_test_end();
#endif
}
