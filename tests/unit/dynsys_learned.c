/* Koopman operators and learned surrogates: exact linear cases, residuals, gradients against differences, reservoirs, measures, eml trees, collapse.
   SPDX-License-Identifier: MIT-0 OR Unlicense
   run: alloc threads */
#if defined(NRX_TEST_THREADS)
#define NRX_TEST_POOL
#endif
#include "nrx_test.h"
#define NRX_DYNSYS_IMPLEMENTATION
#include "nrx_dynsys.h"

static double t[20000], x[20000][3], g[20000][3];

static void koopman(void)
{
    nrx_dyn_spectrum s;
    nrx_dyn_edmd_desc d = NRX_ZERO;
    size_t i, j;
    int k;
    {
        double X[60], c = 0.95 * cos(0.3), sn = 0.95 * sin(0.3);
        X[0] = 1; X[1] = 0.5; X[2] = 0.7;
        for (i = 1; i < 20; i++) { X[3 * i] = c * X[3 * i - 3] - sn * X[3 * i - 2]; X[3 * i + 1] = sn * X[3 * i - 3] + c * X[3 * i - 2]; X[3 * i + 2] = 0.8 * X[3 * i - 1]; }
        CHECK(nrx_dyn_dmd(20, 3, X, NULL, NULL, &s) == NRX_OK && s.r == 3);
        CHECK_NEAR(s.eigenvalues[0], c, 1e-12);
        CHECK_NEAR(fabs(s.eigenvalues[1]), sn, 1e-12);
        CHECK_NEAR(s.eigenvalues[4], 0.8, 1e-12);
        for (j = 0; j < 3; j++) { /* the modes with their amplitudes give the first snapshot */
            double a = 0;
            for (i = 0; i < 3; i++) a += s.modes[2 * (j * 3 + i)] * s.amplitudes[2 * i] - s.modes[2 * (j * 3 + i) + 1] * s.amplitudes[2 * i + 1];
            CHECK_NEAR(a, X[j], 1e-12);
        }
        nrx_dyn_spectrum_free(&s);
    }
    { /* slow manifold: 1, .9, .81, .5 belong to the operator, two more to the dictionary only */
        double a[400], b[400];
        static const double want[4] = {1, 0.9, 0.81, 0.5};
        nrx_test_rng r = {3};
        for (i = 0; i < 200; i++) { a[2 * i] = nrx_test_signed(&r); a[2 * i + 1] = nrx_test_signed(&r); b[2 * i] = 0.9 * a[2 * i]; b[2 * i + 1] = 0.5 * a[2 * i + 1] + 0.31 * a[2 * i] * a[2 * i]; }
        d.library.degree = 2;
        CHECK(nrx_dyn_edmd(200, 2, a, b, &d, &s) == NRX_OK && s.r == 6);
        for (k = 0, i = 0; i < 6; i++) if (s.residuals[i] < 1e-10) { CHECK(k < 4); CHECK_NEAR(s.eigenvalues[2 * i], want[k % 4], 1e-10); k++; } else CHECK(s.residuals[i] > 0.03);
        CHECK(k == 4);
        nrx_dyn_spectrum_free(&s);
        d.kernel = NRX_DYN_GAUSSIAN;
        CHECK(nrx_dyn_edmd(200, 2, a, b, &d, &s) == NRX_OK);
        CHECK_NEAR(s.eigenvalues[0], 1, 1e-4);
        CHECK_NEAR(s.eigenvalues[2], 0.9, 1e-3);
        nrx_dyn_spectrum_free(&s);
    }
    { /* logistic map, Legendre polynomials to degree 8 on arcsine points: one eigenvalue survives */
        static double P[4000 * 9], Q[4000 * 9];
        nrx_test_rng r = {5};
        for (i = 0; i < 4000; i++) {
            double u = 0.5 - 0.5 * cos(3.14159265358979 * nrx_test_uniform(&r)), z[2];
            z[0] = 2 * u - 1; z[1] = 8 * u * (1 - u) - 1;
            for (k = 0; k < 2; k++) { double *p = (k ? Q : P) + 9 * i; p[0] = 1; p[1] = z[k]; for (j = 1; j < 8; j++) p[j + 1] = ((2 * (double)j + 1) * z[k] * p[j] - (double)j * p[j - 1]) / ((double)j + 1); }
        }
        memset(&d, 0, sizeof d);
        d.p = 9;
        CHECK(nrx_dyn_edmd(4000, 9, P, Q, &d, &s) == NRX_OK && s.r == 9);
        CHECK_NEAR(s.eigenvalues[0], 1, 1e-10);
        CHECK(s.residuals[0] < 1e-10);
        for (i = 1; i < 9; i++) CHECK(s.residuals[i] > 0.8);
        { double z[4] = {1, 0, 0.3, 0.2}, p[2]; CHECK(nrx_dyn_pseudospectrum(&s, 2, z, p) == NRX_OK); CHECK(p[0] < 1e-10 && p[1] > 0.3); }
        nrx_dyn_spectrum_free(&s);
    }
    { /* rotation of the circle: mpEDMD keeps the unit circle and the exact angles on equispaced points */
        double a[7 * 60], b[7 * 60];
        for (i = 0; i < 60; i++) for (j = 0; j < 2; j++) { double *p = (j ? b : a) + 7 * i, th = 2 * 3.14159265358979323846 * (double)i / 60 + (j ? 1.234 : 0); p[0] = 1; for (k = 1; k < 4; k++) { p[2 * k - 1] = cos(k * th); p[2 * k] = sin(k * th); } }
        memset(&d, 0, sizeof d);
        d.p = 7; d.measure_preserving = 1;
        CHECK(nrx_dyn_edmd(60, 7, a, b, &d, &s) == NRX_OK);
        for (i = 0; i < 7; i++) {
            double angle = fabs(atan2(s.eigenvalues[2 * i + 1], s.eigenvalues[2 * i])), off = 9;
            CHECK_NEAR(hypot(s.eigenvalues[2 * i], s.eigenvalues[2 * i + 1]), 1, 1e-13);
            for (k = 0; k < 4; k++) off = fmin(off, fabs(angle - fabs(remainder(1.234 * k, 2 * 3.14159265358979323846))));
            CHECK(off < 1e-12);
        }
        nrx_dyn_spectrum_free(&s);
    }
    { /* optimised DMD at uneven times */
        double tt[50], y[100], al[4] = {-0.1, 1.1, -0.1, -1.1}, mo[8], e;
        for (i = 0; i < 50; i++) { tt[i] = 0.2 * (double)i + 0.01 * (double)(i % 3); y[2 * i] = exp(-0.2 * tt[i]) * cos(1.5 * tt[i]); y[2 * i + 1] = exp(-0.2 * tt[i]) * sin(1.5 * tt[i] + 0.3); }
        CHECK(nrx_dyn_dmd_optimised(50, 2, tt, y, 2, al, mo, &e, NULL) == NRX_OK);
        CHECK_NEAR(al[0], -0.2, 1e-8);
        CHECK_NEAR(fabs(al[1]), 1.5, 1e-8);
        CHECK(e < 1e-8);
    }
}

static void lorenz(size_t n, double dt)
{
    nrx_dyn_system s;
    nrx_dyn_solve_desc d = NRX_ZERO;
    size_t i;
    d.method = NRX_DYN_DOP853; d.rtol = d.atol = 1e-10;
    CHECK(nrx_dyn_find("Lorenz63", &s) == NRX_OK);
    for (i = 0; i < n; i++) t[i] = dt * (double)i;
    CHECK(nrx_dyn_solve(&s.field, s.y0, n, t, x[0], &d, NULL) == NRX_OK);
}

static void recurrent(void)
{
    int kind;
    for (kind = 0; kind < 3; kind++) {
        nrx_dyn_plrnn_desc d = NRX_ZERO;
        nrx_dyn_rnn *m;
        double l0, l1, grad[400], z[60], e = 0, one, v;
        size_t i, tau = kind == NRX_DYN_ALRNN ? 4 : 0;
        d.kind = kind; d.batches = 3; d.latent = kind == 2 ? 6 : kind == 1 ? 5 : 3; d.hidden = kind == 2 ? 2 : 8; d.sequence = 20;
        CHECK(nrx_dyn_plrnn(1000, 3, x[0], &d, &m) == NRX_OK);
        for (i = 0; i < 60; i++) z[i] = (x[500 + i / 3][i % 3] - m->mean[i % 3]) / m->sd[i % 3];
        CHECK(nrx_dyn_rnn_loss(m, 20, z, 0.3, tau, &l0, grad) == NRX_OK);
        for (i = 0; i < m->np; i++) {
            double h = 1e-6, keep = m->params[i];
            m->params[i] = keep + h; CHECK(nrx_dyn_rnn_loss(m, 20, z, 0.3, tau, &l1, NULL) == NRX_OK);
            m->params[i] = keep - h; CHECK(nrx_dyn_rnn_loss(m, 20, z, 0.3, tau, &l0, NULL) == NRX_OK);
            m->params[i] = keep;
            e = fmax(e, fabs((l1 - l0) / (2 * h) - grad[i]));
        }
        CHECK(e < 1e-7);
        if (m->M == 3) { /* full forcing is the one-step prediction error; no forcing is the free run */
            double run[60];
            for (one = 0, i = 0; i < 19; i++) { double p[3]; size_t j; CHECK(nrx_dyn_rnn_run(m, x[500 + i], 1, p, NULL) == NRX_OK); for (j = 0; j < 3; j++) { v = (p[j] - m->mean[j]) / m->sd[j] - z[3 * (i + 1) + j]; one += v * v / 57; } }
            CHECK(nrx_dyn_rnn_loss(m, 20, z, 1, 0, &l0, NULL) == NRX_OK);
            CHECK_REL(l0, one, 1e-9);
            CHECK(nrx_dyn_rnn_run(m, x[500], 19, run, NULL) == NRX_OK);
            for (one = 0, i = 0; i < 57; i++) { v = (run[i] - m->mean[i % 3]) / m->sd[i % 3] - z[i + 3]; one += v * v / 57; }
            CHECK(nrx_dyn_rnn_loss(m, 20, z, 1e-300, 0, &l0, NULL) == NRX_OK);
            CHECK_REL(l0, one, 1e-9);
            for (i = 0; i < 3; i++) m->params[i] = 0.9; /* bounded for |a| < 1 */
            CHECK(nrx_dyn_rnn_run(m, x[500], 20000, g[0], NULL) == NRX_OK);
            for (i = 0; i < 3; i++) CHECK(fabs((g[19999][i] - m->mean[i]) / m->sd[i]) < 1000);
        }
        nrx_dyn_rnn_free(m);
    }
}

static void surrogates(int talk)
{
    double kl, h, v[2][250], few[2][25];
    size_t i;
    int s, k;
    CHECK(nrx_dyn_state_divergence(10000, x[0], 10000, x[0], 3, &kl) == NRX_OK);
    CHECK_NEAR(kl, 0, 1e-12);
    CHECK(nrx_dyn_spectral_distance(10000, x[0], x[0], 3, 20, &h) == NRX_OK);
    CHECK_NEAR(h, 0, 1e-12);
    for (i = 0; i < 10000; i++) memcpy(g[i], x[5000], sizeof g[i]); /* collapse to a point */
    CHECK(nrx_dyn_state_divergence(10000, x[0], 10000, g[0], 3, &kl) == NRX_OK && kl > 10);
    for (k = 0; k < 2; k++) { /* next-generation reservoir, 400 points of DOP853 data, 250 starts: with noise in its features and without */
        for (s = 0; s < 250; s++) {
            nrx_dyn_reservoir r;
            nrx_dyn_reservoir_desc d = NRX_ZERO;
            size_t at = 1000 + 60 * (size_t)s;
            d.seed = (uint64_t)s;
            d.noise = k ? -1 : 1e-3;
            CHECK(nrx_dyn_reservoir_train(400, 3, x[at - 400], &d, &r) == NRX_OK && r.features == 28);
            for (i = 0; i < 600; i++) g[i][0] = HUGE_VAL; /* what a run that diverges leaves */
            CHECK(nrx_dyn_reservoir_run(&r, 2, x[at - 2], 600, g[0]) == NRX_OK || k);
            v[k][s] = nrx_dyn_valid_time(600, 3, x[at], g[0], 0.025, 0.4, 1 / 0.9056);
            if (s % 10 == 0) few[k][s / 10] = v[k][s];
            nrx_dyn_reservoir_free(&r);
        }
        nrxi_dyn_sort(250, v[k]);
        nrxi_dyn_sort(25, few[k]);
    }
    if (talk)
        printf("next-generation reservoir, valid time in Lyapunov times (median, range): 250 starts %.2f, %.2f to %.2f, 25 of them %.2f; without noise %.2f, %.2f to %.2f, 25 of them %.2f\n",
               v[0][125], v[0][0], v[0][249], few[0][12], v[1][125], v[1][0], v[1][249], few[1][12]);
    CHECK(v[0][125] >= 4 && few[0][12] >= 4);
    CHECK(v[1][125] < 2 && few[1][12] < 2); /* the parasitic mode of clean training; stored: 0.2 over 40 starts */
    { /* a code with two symbols that alternate freely has entropy ln 2, a cycle has none */
        uint64_t free_code[100], cycle[100], symbol[4];
        size_t count[4], distinct;
        double tr[16], e;
        for (i = 0; i < 100; i++) { free_code[i] = (i / 3) % 2; cycle[i] = i % 3; }
        CHECK(nrx_dyn_symbols(100, free_code, 4, symbol, count, tr, &distinct, &e) == NRX_OK && distinct == 2);
        CHECK_NEAR(e, log(2.0), 1e-9);
        CHECK(nrx_dyn_symbols(100, cycle, 4, symbol, count, tr, &distinct, &e) == NRX_OK && distinct == 3);
        CHECK_NEAR(e, 0, 1e-9);
    }
}

static void trees(void)
{
    double v[2], vars[26], xs[20], ys[20], e;
    char text[64];
    int i;
    memset(vars, 0, sizeof vars);
    vars['x' - 'a'] = 2; vars['y' - 'a'] = 3;
    CHECK(nrx_dyn_eml_eval("x1E", vars, v) == NRX_OK);
    CHECK_NEAR(v[0], exp(2.0), 1e-14);
    CHECK(nrx_dyn_eml_eval("11xE1EE", vars, v) == NRX_OK); /* ln x */
    CHECK_NEAR(v[0], log(2.0), 1e-15);
    CHECK(nrx_dyn_eml_eval("1E", vars, v) == NRX_E_FORMAT);
    CHECK(nrx_dyn_eml_eval("11", vars, v) == NRX_E_FORMAT);
    CHECK(nrx_dyn_eml_eval("1?E", vars, v) == NRX_E_FORMAT);
    for (i = 0; i < 20; i++) { xs[i] = 0.5 + 0.1 * i; ys[i] = log(xs[i]); }
    CHECK(nrx_dyn_eml_search(20, 1, xs, ys, 6, 1e-12, text, sizeof text, &e, NULL) == NRX_OK);
    CHECK(e < 1e-12);
    vars['x' - 'a'] = 1.7;
    CHECK(nrx_dyn_eml_eval(text, vars, v) == NRX_OK);
    CHECK_NEAR(v[0], log(1.7), 1e-12); /* the text evaluates to the law, off the samples too */
}

/* The mean over 4000 runs against the closed forms. The relative standard error of the mean variance is at most
   sqrt((exp(4 g / m) - 1) / runs) for the plain fits, about 0.1 at g = 40, m = 20; four of it are allowed. */
static void collapse(void)
{
    static const double keep[2] = {0, 0.3};
    double v[41], m[41], e[41];
    int kind, k;
    size_t g;
    for (kind = 0; kind < 4; kind++) for (k = 0; k < 2; k++) {
        size_t last = kind == NRX_DYN_COLLAPSE_MIXTURE ? 10 : 20, runs = kind == NRX_DYN_COLLAPSE_MIXTURE ? 1500 : 4000;
        CHECK(nrx_dyn_collapse(kind, 20, last, keep[k], runs, 1, v, m, e, NULL) == NRX_OK);
        for (g = 0; g <= last; g++) CHECK_REL(v[g], e[g], 4 * sqrt((exp(4 * (double)(g + 1) / 20) - 1) / (double)runs));
        CHECK_REL(e[0], (kind == NRX_DYN_COLLAPSE_MIXTURE ? 4.25 : 1) * 0.95, 1e-12);
    }
    CHECK(nrx_dyn_collapse(NRX_DYN_COLLAPSE_GAUSSIAN, 20, 40, 0, 4000, 1, v, m, e, NULL) == NRX_OK);
    CHECK_REL(e[10], pow(0.95, 11), 1e-12);
    CHECK_REL(v[40], e[40], 0.25);
    CHECK(nrx_dyn_collapse(NRX_DYN_COLLAPSE_GAUSSIAN, 20, 40, 0.5, 400, 1, v, m, NULL, NULL) == NRX_OK);
    CHECK(v[40] > 0.7); /* half of real data stops the collapse */
    CHECK(nrx_dyn_collapse(NRX_DYN_COLLAPSE_KDE, 100, 20, 0, 50, 1, v, m, e, NULL) == NRX_OK);
    CHECK(v[20] > 5 && e[20] > 5); /* each generation adds the kernel's width */
    CHECK(nrx_dyn_collapse(9, 20, 4, 0, 4, 1, v, m, e, NULL) == NRX_E_ARG);
}

static nrx_status persist(void *user, double dt, size_t n, size_t d, const double *past, size_t count, double *out)
{
    size_t i;
    (void)user; (void)dt;
    for (i = 0; i < count * d; i++) out[i] = past[(n - 1) * d + i % d];
    return NRX_OK;
}
static nrx_status refuse(void *user, double dt, size_t n, size_t d, const double *past, size_t count, double *out)
{
    (void)user; (void)dt; (void)n; (void)d; (void)past; (void)count; (void)out;
    return NRX_E_STATE;
}

/* A skill table orders forecasters: the reservoir above "nothing changes", a refusal at the bottom. */
static void skill(void)
{
    nrx_dyn_system s;
    nrx_dyn_skill_desc q = NRX_ZERO;
    nrx_dyn_skill_row good, lazy, none;
    CHECK(nrx_dyn_find("Lorenz63", &s) == NRX_OK);
    q.starts = 7; q.train = 600; q.count = 300;
    CHECK(nrx_dyn_skill(&s, &q, &good) == NRX_OK && good.failed == 0 && good.lyapunov);
    q.forecast = persist;
    CHECK(nrx_dyn_skill(&s, &q, &lazy) == NRX_OK);
    q.forecast = refuse;
    CHECK(nrx_dyn_skill(&s, &q, &none) == NRX_OK && none.failed == 7);
    CHECK_NEAR(none.valid, 0, 0);
    CHECK_NEAR(none.smape, 200, 0);
    CHECK(good.valid > 2 && good.valid <= good.horizon && lazy.valid < 0.5 && good.smape < lazy.smape);
    CHECK(nrx_dyn_skill(NULL, NULL, &good) == NRX_E_ARG);
}

/* Training on lanes: a batch gives the mean of its sequences' losses and gradients, and the best step on a validation series is kept. */
static void lanes(void)
{
    nrx_dyn_plrnn_desc d = NRX_ZERO;
    nrx_dyn_rnn *m;
    double kl;
    d.kind = NRX_DYN_CLIPPED; d.batches = 300; d.hidden = 20; d.sequence = 30; d.alpha = 0.2; d.rate = 5e-3; d.batch = 11;
    d.validation = x[6000]; d.n_validation = 3000; d.checks = 6; d.seed = 2;
    CHECK(nrx_dyn_plrnn(5000, 3, x[0], &d, &m) == NRX_OK);
    CHECK(m->step > 0 && m->step <= 300 && m->step % 50 == 0 && m->divergence >= 0);
    if (nrx_dyn_rnn_run(m, x[6000], 3000, g[0], NULL) == NRX_OK && nrx_dyn_state_divergence(3000, x[6000], 3000, g[0], 3, &kl) == NRX_OK)
        CHECK_NEAR(kl, m->divergence, 1e-12);
    else CHECK(m->divergence > 1e299);
    nrx_dyn_rnn_free(m);
    d.n_validation = 10;
    CHECK(nrx_dyn_plrnn(5000, 3, x[0], &d, &m) == NRX_E_ARG);
}

#if defined(NRX_TEST_THREADS)
/* The same parameters for any number of workers. */
static void workers(void)
{
    nrx_dyn_plrnn_desc d = NRX_ZERO;
    nrx_dyn_rnn *m;
    int pool;
    d.batches = 60; d.hidden = 20; d.sequence = 30; d.alpha = 0.2; d.batch = 27;
    NRX_TEST_POOL_ENV(d.env, pool);
    CHECK(nrx_dyn_plrnn(5000, 3, x[0], &d, &m) == NRX_OK);
    nrx_test_checksum("plrnn", m->params, m->np * sizeof(double));
    nrx_dyn_rnn_free(m);
}
#endif

int main(int argc, char **argv)
{
    (void)argc; (void)argv;
#if defined(NRX_TEST_ALLOC)
    nrx_test_heap heap;
    nrx_dyn_plrnn_desc d = NRX_ZERO;
    nrx_dyn_reservoir_desc q = NRX_ZERO;
    nrx_dyn_dmd_desc k = NRX_ZERO;
    nrx_dyn_rnn *m;
    nrx_dyn_reservoir r;
    nrx_dyn_spectrum s;
    (void)koopman; (void)recurrent; (void)surrogates; (void)trees; (void)collapse; (void)skill; (void)lanes;
    lorenz(600, 0.025);
    d.batches = 2; d.sequence = 10;
    NRX_TEST_EACH_ALLOC(d.env, heap, nrx_dyn_plrnn(500, 3, x[0], &d, &m), nrx_dyn_rnn_free(m));
    NRX_TEST_EACH_ALLOC(q.env, heap, nrx_dyn_reservoir_train(500, 3, x[0], &q, &r), nrx_dyn_reservoir_free(&r));
    NRX_TEST_EACH_ALLOC(k.env, heap, nrx_dyn_dmd(50, 3, x[0], NULL, &k, &s), nrx_dyn_spectrum_free(&s));
    return nrx_test_end();
#elif defined(NRX_TEST_THREADS)
    (void)koopman; (void)recurrent; (void)surrogates; (void)trees; (void)collapse; (void)skill; (void)lanes;
    lorenz(10000, 0.025);
    workers();
    return nrx_test_end();
#else
    koopman();
    lorenz(16600, 0.025);
    recurrent();
    surrogates(argc > 1); /* any argument: the forecast's valid times are printed */
    trees();
    collapse();
    skill();
    lanes();
    return nrx_test_end();
#endif
}
