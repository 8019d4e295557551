/* Solvers against SciPy's stored numbers, closed forms and their orders; events, delays, maps, noise, ETDRK4, tangents, adjoints.
   SPDX-License-Identifier: MIT-0 OR Unlicense
   run: alloc threads */
#define NRX_TEST_POOL
#include "nrx_test.h"
#define NRX_DYNSYS_IMPLEMENTATION
#include "nrx_dynsys.h"
#include "nrx_test.h"
#include "../ref/dynsys_scipy.h"

/* Slope of log error over log tolerance, 1e-4 to 1e-10, least squares. */
static double slope(const double *error)
{
    double x[7], y[7], mx = 0, my = 0, a = 0, b = 0;
    int i;
    for (i = 0; i < 7; i++) { x[i] = -(4.0 + i); y[i] = log10(error[i]); mx += x[i] / 7; my += y[i] / 7; }
    for (i = 0; i < 7; i++) { a += (x[i] - mx) * (x[i] - mx); b += (x[i] - mx) * (y[i] - my); }
    return b / a;
}

/* Largest error of four runs, to a quarter, half, ... of the time: a single end point may sit on a zero of the error. */
static double end_error(const nrx_vfield *f, const double *y0, double T, int method, double tol, const double (*end)[4])
{
    double t[2], y[8], e = 0;
    nrx_dyn_solve_desc d = NRX_ZERO;
    size_t j;
    int q;
    d.method = method; d.rtol = d.atol = tol;
    for (q = 0; q < 4; q++) {
        t[0] = 0; t[1] = T * (q + 1) / 4;
        CHECK(nrx_dyn_solve(f, y0, 2, t, y, &d, NULL) == NRX_OK);
        for (j = 0; j < f->n; j++) e = fmax(e, fabs(y[f->n + j] - end[q][j]));
    }
    return e;
}

/* Single errors cross zero; the geometric mean over the tolerances is compared. */
static void against_scipy(int print)
{
    static const int method[4] = {NRX_DYN_DP5, NRX_DYN_DOP853, NRX_DYN_RADAU5, NRX_DYN_TSIT5};
    static const char *name[4] = {"DP5", "DOP853", "Radau5", "Tsit5"};
    size_t p;
    int m, k;
    for (p = 0; p < sizeof reference / sizeof reference[0]; p++) {
        nrx_dyn_system s;
        CHECK(nrx_dyn_find(reference[p].name, &s) == NRX_OK);
        for (m = 0; m < 4; m++) {
            double e[7], ratio = 0, sl;
            for (k = 0; k < 7; k++) {
                e[k] = end_error(&s.field, s.y0, reference[p].t, method[m], pow(10.0, -4.0 - k), reference[p].end);
                if (m < 3) ratio += log(e[k] / reference[p].error[m][k]) / 7;
            }
            sl = slope(e);
            if (print) {
                printf("%-20s %-7s slope %.2f", reference[p].name, name[m], sl);
                if (m < 3) printf("  SciPy's %.2f  error ratio (geometric mean) %.2f", slope(reference[p].error[m]), exp(ratio));
                printf("\n");
            }
            CHECK(sl > 0.85);
            CHECK(sl < 1.3);
            if (m < 3) CHECK(exp(ratio) < 3);
        }
    }
}

static nrx_status decay(void *user, double t, const double *y, double *d) { (void)user; d[0] = -2 * t * y[0]; return NRX_OK; }

/* Dense output: the error inside steps of fixed size falls with the interpolant's order + 1 (local). */
static void dense_orders(void)
{
    static const double order[5] = {4, 4, 7, 3, 3};
    nrx_vfield f = {decay, NULL, NULL, 1};
    int m, k, j;
    for (m = 0; m < 5; m++) {
        double e[2] = {0, 0};
        for (k = 0; k < 2; k++) { /* one big step of fixed size: tolerances so loose that it is accepted */
            nrx_dyn_solver *s;
            nrx_dyn_solve_desc d = NRX_ZERO;
            double y0[1] = {1}, y[1], h = (m == 2 ? 0.8 : 0.2) / (1 << k);
            y0[0] = exp(-1.0);
            d.method = m; d.step = h; d.rtol = d.atol = m == NRX_DYN_RADAU5 ? 1e-3 : 1e9;
            CHECK(nrx_dyn_solver_create(&f, 1.0, y0, 1.0 + h, &d, &s) == NRX_OK);
            CHECK(nrx_dyn_solver_step(s) == NRX_OK);
            CHECK_NEAR(nrx_dyn_solver_time(s), 1.0 + h, 1e-15);
            for (j = 1; j < 10; j++) {
                double t = 1.0 + h * j / 10;
                CHECK(nrx_dyn_solver_at(s, t, y) == NRX_OK);
                e[k] = fmax(e[k], fabs(y[0] - exp(-t * t)));
            }
            nrx_dyn_solver_free(s);
        }
        CHECK(log2(e[0] / e[1]) > order[m] + 0.6);
        CHECK(log2(e[0] / e[1]) < order[m] + 2.2);
    }
}

static double height(void *user, double t, const double *y) { (void)user; (void)t; return y[0]; }
static nrx_status fall(void *user, double t, const double *y, double *d) { (void)user; (void)t; d[0] = y[1]; d[1] = -1; return NRX_OK; }
static nrx_status spring(void *user, double t, const double *y, double *d) { (void)user; (void)t; d[0] = y[1]; d[1] = -y[0]; return NRX_OK; }

static void events(void)
{
    nrx_vfield f = {fall, NULL, NULL, 2}, g = {spring, NULL, NULL, 2};
    double y0[2] = {1, 0}, t[2] = {0, 10}, y[4], at[8], states[16];
    nrx_dyn_event e;
    nrx_dyn_solve_desc d = NRX_ZERO;
    nrx_dyn_solve_info info;
    int i, m;
    for (m = 0; m < 5; m++) {
        memset(&e, 0, sizeof e);
        e.g = height; e.terminal = 1; e.times = at; e.states = states; e.capacity = 8;
        d.events = &e; d.n_events = 1; d.method = m; d.step = 0.01; d.rtol = d.atol = 1e-10;
        CHECK(nrx_dyn_solve(&f, y0, 2, t, y, &d, &info) == NRX_OK);
        CHECK(info.stop == NRX_DYN_STOP_EVENT && e.count == 1 && info.rows == 1);
        CHECK_NEAR(at[0], sqrt(2.0), 1e-9);
        CHECK_NEAR(states[1], -sqrt(2.0), 1e-9);
        e.terminal = 0; e.direction = 1;
        CHECK(nrx_dyn_solve(&g, y0, 2, t, y, &d, &info) == NRX_OK);
        CHECK(e.count == 1); /* cos rises through zero at 3 pi / 2 only */
        CHECK_NEAR(at[0], 4.71238898038469, 1e-7);
    }
    for (i = 0; i < 2; i++) { /* backward in time gives the start again */
        double b[2] = {2, 0}, out[4], back[2] = {0, 2}, end[2];
        d.n_events = 0; d.method = i ? NRX_DYN_DOP853 : NRX_DYN_DP5;
        CHECK(nrx_dyn_solve(&g, y0, 2, back, out, &d, NULL) == NRX_OK);
        memcpy(end, out + 2, sizeof end);
        CHECK(nrx_dyn_solve(&g, end, 2, b, out, &d, NULL) == NRX_OK);
        CHECK_NEAR(out[2], 1, 1e-8);
    }
}

static nrx_status stiff_linear(void *user, double t, const double *y, double *d)
{
    (void)user;
    d[0] = -1e6 * (y[0] - cos(t)) - sin(t); /* Prothero & Robinson: y = cos t */
    return NRX_OK;
}

static void stiff(void)
{
    /* Robertson's end state: Hairer & Wanner's test set (t = 1e11 there; t = 40 here, from the same source as LSODE's documentation). */
    nrx_dyn_system s;
    double t[2] = {0, 40}, y[6], y0[1] = {1}, y1[2];
    nrx_dyn_solve_desc d = NRX_ZERO;
    nrx_dyn_solve_info info;
    nrx_vfield f = {stiff_linear, NULL, NULL, 1};
    d.method = NRX_DYN_RADAU5; d.rtol = 1e-9; d.atol = 1e-13;
    CHECK(nrx_dyn_find("Robertson", &s) == NRX_OK);
    CHECK(nrx_dyn_solve(&s.field, s.y0, 2, t, y, &d, &info) == NRX_OK);
    CHECK_REL(y[3], 0.7158270687194, 1e-8);
    CHECK_REL(y[4], 9.185534764558e-6, 1e-7);
    CHECK_NEAR(y[3] + y[4] + y[5], 1, 1e-12);
    t[1] = 10;
    CHECK(nrx_dyn_solve(&f, y0, 2, t, y1, &d, &info) == NRX_OK);
    CHECK_NEAR(y1[1], cos(10.0), 1e-8);
    CHECK(info.steps < 2000); /* an explicit method needs several million */
    s.field.jac = NULL; /* the differenced Jacobian does as well */
    t[1] = 40;
    CHECK(nrx_dyn_solve(&s.field, s.y0, 2, t, y, &d, &info) == NRX_OK);
    CHECK_REL(y[3], 0.7158270687194, 1e-7);
}

static nrx_status lagged(void *user, double t, const double *y, const double *lag, double *d) { (void)user; (void)t; (void)y; d[0] = -lag[0]; return NRX_OK; }

static void delays(void)
{
    /* y' = -y(t-1), y = 1 before 0: piecewise polynomials by the method of steps; t = 1, 2, 3: 0, -1/2, -1/6 */
    double tau = 1, y0[1] = {1}, t[4] = {0, 1, 2, 3}, y[4], mg[4] = {0.2, 0.1, 10, 17}, out[2], far_t[2] = {0, 100};
    nrx_dyn_delay q;
    nrx_dyn_solve_desc d = NRX_ZERO;
    memset(&q, 0, sizeof q);
    q.f = lagged; q.n = 1; q.n_delays = 1; q.tau = &tau;
    d.rtol = d.atol = 1e-10;
    CHECK(nrx_dyn_solve_delay(&q, y0, 4, t, y, &d, NULL) == NRX_OK);
    CHECK_NEAR(y[1], 0, 1e-10);
    CHECK_NEAR(y[2], -0.5, 1e-10);
    CHECK_NEAR(y[3], -1.0 / 6, 1e-10);
    CHECK(nrx_dyn_mackey_glass(mg, &q) == NRX_OK);
    y0[0] = 1.2;
    CHECK(nrx_dyn_solve_delay(&q, y0, 2, far_t, out, &d, NULL) == NRX_OK);
    CHECK(out[1] > 0.2 && out[1] < 1.5);
    tau = 0;
    q.tau = &tau;
    CHECK(nrx_dyn_solve_delay(&q, y0, 4, t, y, &d, NULL) == NRX_E_ARG);
}

static nrx_status geometric(void *user, double t, const double *y, double *d) { (void)user; (void)t; d[0] = 0.5 * y[0]; return NRX_OK; }
static nrx_status noise_g(void *user, double t, const double *y, double *g) { (void)user; (void)t; g[0] = 0.4 * y[0]; return NRX_OK; }

static void noise(void)
{
    /* strong error of geometric Brownian motion against its closed form on the same path: coarse steps reuse the fine normals' sum */
    nrx_vfield f = {geometric, NULL, NULL, 1};
    nrx_dyn_noise g = {noise_g, NULL, NULL};
    double e[2][2] = {{0, 0}, {0, 0}}, t[2] = {0, 1}, y0[1] = {1}, y[2];
    int m, k;
    uint64_t s;
    for (m = 0; m < 2; m++)
        for (k = 0; k < 2; k++)
            for (s = 0; s < 400; s++) {
                size_t n = k ? 256 : 16, i;
                double w = 0;
                nrx_rng r;
                nrx_rng_seed(&r, s, 0);
                for (i = 0; i < n; i++) w += sqrt(1.0 / (double)n) * nrx_rng_normal(&r);
                CHECK(nrx_dyn_solve_sde(&f, &g, m, s, y0, 2, t, n, y) == NRX_OK);
                e[m][k] += fabs(y[1] - exp((0.5 - 0.08) + 0.4 * w)) / 400;
            }
    CHECK_NEAR(log2(e[0][0] / e[0][1]) / 4, 0.5, 0.2); /* Euler-Maruyama: strong order one half */
    CHECK_NEAR(log2(e[1][0] / e[1][1]) / 4, 1.0, 0.2); /* Milstein: one */
}

static nrx_status quadratic(void *user, double t, const double *v, double *nv)
{
    (void)user; (void)t;
    nv[0] = v[0] * v[0]; nv[1] = 0;
    return NRX_OK;
}

static void etd(void)
{
    /* v' = -v + v^2 from 1/2: v = 1 / (1 + e^t); order four */
    double L = -1, e[2];
    int k;
    for (k = 0; k < 2; k++) {
        double v[2] = {0.5, 0}, out[2];
        size_t n = k ? 20 : 10;
        CHECK(nrx_dyn_etdrk4(1, &L, quadratic, NULL, 0, 1.0 / (double)n, 1, n, v, out) == NRX_OK);
        e[k] = fabs(out[0] - 1 / (1 + exp(1.0)));
    }
    CHECK(e[1] < 1e-7);
    CHECK_NEAR(log2(e[0] / e[1]), 4, 0.3);
    { /* Kuramoto-Sivashinsky: a small mode grows by exp(k^2 - k^4), the mean stays zero, the chaotic state stays bounded */
        double u[64], out[64], q = 2 * 3.14159265358979323846 / 22, rms = 0, mean = 0, big = 0;
        int i;
        for (i = 0; i < 64; i++) u[i] = 1e-6 * cos(q * 22 * i / 64);
        CHECK(nrx_dyn_kuramoto_sivashinsky(64, 22, u, 0.05, 1, 200, out, NULL) == NRX_OK);
        CHECK_REL(out[0], 1e-6 * exp(10 * (q * q - q * q * q * q)), 1e-4);
        for (i = 0; i < 64; i++) u[i] = cos(q * 22 * i / 64) * (1 + sin(q * 22 * i / 64));
        CHECK(nrx_dyn_kuramoto_sivashinsky(64, 22, u, 0.05, 1, 4000, out, NULL) == NRX_OK);
        for (i = 0; i < 64; i++) { rms += out[i] * out[i] / 64; mean += out[i] / 64; big = fmax(big, fabs(out[i])); }
        CHECK(sqrt(rms) > 0.5 && sqrt(rms) < 2.5 && big < 5);
        CHECK_NEAR(mean, 0, 1e-9);
    }
}

static nrx_status pf(void *user, const double *p, double t, const double *y, double *d)
{
    (void)user; (void)t;
    d[0] = p[0] * y[0] - p[1] * y[0] * y[1];
    d[1] = -y[1] + y[0] * y[1];
    return NRX_OK;
}
static nrx_status pvjp(void *user, const double *p, double t, const double *y, const double *a, double *ay, double *ap)
{
    (void)user; (void)t;
    ay[0] += a[0] * (p[0] - p[1] * y[1]) + a[1] * y[1];
    ay[1] += -a[0] * p[1] * y[0] + a[1] * (y[0] - 1);
    ap[0] += a[0] * y[0];
    ap[1] -= a[0] * y[0] * y[1];
    return NRX_OK;
}
static nrx_status ploss(void *user, size_t i, const double *y, double *value, double *grad)
{
    (void)user;
    *value += (double)(i + 1) * (y[0] * y[0] + y[1]);
    grad[0] += (double)(i + 1) * 2 * y[0];
    grad[1] += (double)(i + 1);
    return NRX_OK;
}

static void gradients(void)
{
    nrx_dyn_parametric f = {pf, pvjp, NULL, 2, 2};
    double p[2] = {1.1, 0.9}, y0[2] = {1.5, 0.7}, t[4] = {0, 0.5, 1.1, 2}, v, gy[2], gp[2], a, b, h = 1e-6, junk[2];
    int k;
    CHECK(nrx_dyn_adjoint(&f, p, y0, 4, t, 7, ploss, NULL, &v, gy, gp, NULL) == NRX_OK);
    for (k = 0; k < 4; k++) {
        double *x = k < 2 ? p + k : y0 + (k - 2), keep = *x;
        double junk_p[2];
        *x = keep + h;
        CHECK(nrx_dyn_adjoint(&f, p, y0, 4, t, 7, ploss, NULL, &a, junk, junk_p, NULL) == NRX_OK);
        *x = keep - h;
        CHECK(nrx_dyn_adjoint(&f, p, y0, 4, t, 7, ploss, NULL, &b, junk, junk_p, NULL) == NRX_OK);
        *x = keep;
        CHECK_REL(k < 2 ? gp[k] : gy[k - 2], (a - b) / (2 * h), 1e-8);
    }
}

static nrx_status blow_up(void *user, double t, const double *y, double *d) { (void)user; (void)t; d[0] = y[0] * y[0]; return NRX_OK; }

static void clear_errors(void)
{
    nrx_vfield f = {blow_up, NULL, NULL, 1};
    double y0[1] = {1}, t[3] = {0, 0.5, 2}, y[3], bad[1], same[2] = {0, 0}, order[3] = {0, 2, 1};
    nrx_dyn_solve_desc d = NRX_ZERO;
    nrx_dyn_solve_info info;
    nrx_test_log_state log = {0, 0, {0}};
    int m;
    NRX_TEST_LOG_ENV(d.env, log);
    for (m = 0; m < 4; m++) {
        d.method = m;
        CHECK_ALWAYS(nrx_dyn_solve(&f, y0, 3, t, y, &d, &info) == NRX_E_NUMERIC); /* 1/(1-t) ends at t = 1 */
        CHECK(info.rows == 2);
        CHECK_NEAR(y[1], 2, 1e-6);
        CHECK(strstr(log.last, "step size too small") != NULL);
    }
    bad[0] = HUGE_VAL;
    CHECK_ALWAYS(nrx_dyn_solve(&f, bad, 3, t, y, &d, NULL) == NRX_E_NUMERIC);
    CHECK(nrx_dyn_solve(&f, y0, 2, same, y, &d, NULL) == NRX_E_ARG);
    CHECK(nrx_dyn_solve(&f, y0, 3, order, y, &d, NULL) == NRX_E_ARG);
    d.method = 17;
    CHECK(nrx_dyn_solve(&f, y0, 3, t, y, &d, NULL) == NRX_E_ARG);
    d.method = 0; d.rtol = -1; d.atol = -1;
    CHECK(nrx_dyn_solve(&f, y0, 3, t, y, &d, NULL) == NRX_E_ARG);
    d.rtol = d.atol = 0; d.max_steps = 3;
    CHECK(nrx_dyn_solve(&f, y0, 3, t, y, &d, &info) == NRX_OK && info.stop == NRX_DYN_STOP_STEPS);
}

int main(int argc, char **argv)
{
#if defined(NRX_TEST_ALLOC)
    nrx_test_heap heap;
    nrx_dyn_solve_desc d = NRX_ZERO;
    double y0[1] = {1}, t[2] = {0, 0.5}, y[2], tau = 0.1, y1[2], u[16] = {1, 2, 3}, out[16];
    nrx_vfield f = {blow_up, NULL, NULL, 1};
    nrx_dyn_event e;
    nrx_dyn_delay q;
    nrx_env env = NRX_ZERO;
    (void)argc; (void)argv; (void)against_scipy; (void)dense_orders; (void)events; (void)stiff; (void)noise; (void)etd; (void)gradients;
    (void)clear_errors; (void)delays;
    memset(&e, 0, sizeof e);
    memset(&q, 0, sizeof q);
    e.g = height;
    d.events = &e; d.n_events = 1; d.method = NRX_DYN_RADAU5;
    NRX_TEST_EACH_ALLOC(d.env, heap, nrx_dyn_solve(&f, y0, 2, t, y, &d, NULL), (void)0);
    d.n_events = 0;
    q.f = lagged; q.n = 1; q.n_delays = 1; q.tau = &tau;
    NRX_TEST_EACH_ALLOC(d.env, heap, nrx_dyn_solve_delay(&q, y0, 2, t, y1, &d, NULL), (void)0);
    NRX_TEST_EACH_ALLOC(env, heap, nrx_dyn_kuramoto_sivashinsky(16, 22, u, 0.1, 1, 1, out, &env), (void)0);
    return nrx_test_end();
#elif defined(NRX_TEST_THREADS)
    nrx_dyn_system s;
    nrx_dyn_lyapunov_desc d = NRX_ZERO;
    double l[3];
    int workers;
    (void)argc; (void)argv; (void)against_scipy; (void)dense_orders; (void)events; (void)stiff; (void)delays; (void)noise; (void)etd; (void)gradients; (void)clear_errors;
    NRX_TEST_POOL_ENV(d.env, workers);
    d.trajectories = 7; d.time = 70;
    CHECK(nrx_dyn_find("Lorenz63", &s) == NRX_OK);
    CHECK(nrx_dyn_lyapunov(&s.field, s.y0, &d, l, NULL, NULL) == NRX_OK);
    nrx_test_checksum("lyapunov", l, sizeof l);
    return nrx_test_end();
#else
    (void)argv;
    against_scipy(argc > 1);
    dense_orders();
    events();
    stiff();
    delays();
    noise();
    etd();
    gradients();
    clear_errors();
    return nrx_test_end();
#endif
}
