/* Sparse identification: names and order, derivatives, every optimizer, the weak form, rejection, errors, streaming, printing.
   SPDX-License-Identifier: MIT-0 OR Unlicense
   run: alloc */
#include "nrx_test.h"
#define NRX_DYNSYS_IMPLEMENTATION
#include "nrx_dynsys.h"
#include "nrx_test.h"

static double t[20000], x[20000][3], dx[20000][3];
static char text[4000];

static void lorenz(size_t n, double dt)
{
    nrx_dyn_system s;
    nrx_dyn_solve_desc d = NRX_ZERO;
    size_t i;
    d.method = NRX_DYN_DOP853; d.rtol = d.atol = 1e-13;
    CHECK(nrx_dyn_find("Lorenz63", &s) == NRX_OK);
    for (i = 0; i < n; i++) t[i] = dt * (double)i;
    CHECK(nrx_dyn_solve(&s.field, s.y0, n, t, x[0], &d, NULL) == NRX_OK);
    for (i = 0; i < n; i++) CHECK(s.field.f(s.field.user, 0, x[i], dx[i]) == NRX_OK);
}

static nrx_dyn_data data_of(size_t n, double dt)
{
    nrx_dyn_data q;
    memset(&q, 0, sizeof q);
    q.n = n; q.d = 3; q.x = x[0]; q.dt = dt;
    return q;
}

/* Library index order of degree 2: 1 x0 x1 x2 x0^2 x0x1 x0x2 x1^2 x1x2 x2^2 */
static double worst_coefficient(const nrx_dyn_model *m, int *support)
{
    double truth[30] = {0}, e = 0;
    int i;
    truth[1] = -10; truth[2] = 10; truth[11] = 28; truth[12] = -1; truth[16] = -1; truth[23] = -8.0 / 3; truth[25] = 1;
    *support = 1;
    for (i = 0; i < 30; i++) {
        if ((m->coef[i] != 0) != (truth[i] != 0)) *support = 0;
        e = fmax(e, fabs(m->coef[i] - truth[i]) / (truth[i] != 0 ? fabs(truth[i]) : 1));
    }
    return e;
}

static void names(void)
{
    static const char *const want[10] = {"1", "x0", "x1", "x0^2", "x0 x1", "x1^2", "x0^3", "x0^2 x1", "x0 x1^2", "x1^3"};
    nrx_dyn_library lib = NRX_ZERO;
    double p[2] = {2, 3}, v[10];
    size_t i;
    char name[64];
    lib.degree = 3;
    CHECK(nrx_dyn_library_size(&lib, 2) == 10);
    CHECK(nrx_dyn_library_eval(&lib, 1, 2, p, v) == NRX_OK);
    for (i = 0; i < 10; i++) { CHECK(nrx_dyn_library_name(&lib, 2, i, NULL, name, sizeof name) == NRX_OK); CHECK(strcmp(name, want[i]) == 0); }
    CHECK_NEAR(v[7], 12, 0);
    CHECK_NEAR(v[9], 27, 0);
    lib.degree = -1; lib.fourier = 1; lib.logarithms = 1;
    CHECK(nrx_dyn_library_size(&lib, 2) == 7);
    CHECK(nrx_dyn_library_name(&lib, 2, 1, NULL, name, sizeof name) == NRX_OK && strcmp(name, "sin(1 x0)") == 0);
    CHECK(nrx_dyn_library_name(&lib, 2, 6, NULL, name, sizeof name) == NRX_OK && strcmp(name, "ln x1") == 0);
    lib.degree = 5; lib.fourier = 0; lib.logarithms = 0;
    CHECK(nrx_dyn_library_size(&lib, 3) == 56);
}

static void derivatives(void)
{
    double u[200], s[200], d[200], g[200], tt[200], e = 0;
    size_t i;
    int m;
    nrx_dyn_derivative_desc q = NRX_ZERO;
    for (i = 0; i < 200; i++) { tt[i] = 0.05 * (double)i + 0.01 * sin((double)i); u[i] = 1 + tt[i] * (2 + tt[i] * (0.5 - 0.3 * tt[i])); g[i] = 2 + tt[i] * (1 - 0.9 * tt[i]); }
    q.method = NRX_DYN_SAVITZKY_GOLAY; /* cubics are exact, ends too, any spacing */
    CHECK(nrx_dyn_derivative(200, 1, tt, 0, u, &q, d, s) == NRX_OK);
    for (i = 0; i < 200; i++) e = fmax(e, fmax(fabs(d[i] - g[i]), fabs(s[i] - u[i])));
    CHECK(e < 1e-9);
    q.method = NRX_DYN_FINITE_DIFFERENCE; q.order = 4;
    CHECK(nrx_dyn_derivative(200, 1, tt, 0, u, &q, d, NULL) == NRX_OK);
    for (e = 0, i = 0; i < 200; i++) e = fmax(e, fabs(d[i] - g[i]));
    CHECK(e < 1e-9);
    for (m = 0; m <= NRX_DYN_TV; m++) { /* noisy sine: each beats plain differences */
        double err = 0;
        nrx_test_rng r = {12345};
        memset(&q, 0, sizeof q);
        q.method = m; q.window = 31;
        q.alpha = m == NRX_DYN_TV ? 1e-3 : 0;
        for (i = 0; i < 200; i++) u[i] = sin(0.05 * (double)i) + 0.01 * (nrx_test_uniform(&r) + nrx_test_uniform(&r) + nrx_test_uniform(&r) - 1.5) * 2;
        CHECK(nrx_dyn_derivative(200, 1, NULL, 0.05, u, &q, d, s) == NRX_OK);
        for (i = 10; i < 190; i++) err += (d[i] - cos(0.05 * (double)i)) * (d[i] - cos(0.05 * (double)i)) / 180;
        err = sqrt(err);
        if (m == 0) { CHECK(err > 0.08); CHECK(err < 0.3); }
        else if (!(err < 0.06)) { printf("method %d: %g\n", m, err); CHECK(err < 0.06); }
    }
    u[7] = HUGE_VAL - HUGE_VAL; /* a missing sample costs its neighbours only */
    memset(&q, 0, sizeof q);
    CHECK(nrx_dyn_derivative(200, 1, NULL, 0.05, u, &q, d, NULL) == NRX_OK);
    CHECK(!(d[6] == d[6]) && !(d[8] == d[8]) && d[9] == d[9] && d[5] == d[5]);
}

static void recovery(void)
{
    nrx_dyn_sindy_desc d = NRX_ZERO;
    nrx_dyn_data q;
    nrx_dyn_model *m;
    int ok, o;
    double e;
    lorenz(1001, 0.002);
    q = data_of(1001, 0.002);
    CHECK(nrx_dyn_sindy(&q, NULL, &m) == NRX_OK);
    e = worst_coefficient(m, &ok);
    CHECK(ok && e < 1e-3 && m->verdict == NRX_DYN_MODEL_OK);
    CHECK_NEAR(m->coef[1], -9.999701, 2e-5); /* PySINDy's own example, the same differences and threshold */
    CHECK_NEAR(m->coef[11], 27.993740, 3e-5);
    CHECK_NEAR(m->coef[25], 0.999902, 1e-6);
    nrx_dyn_model_print(m, 3, 0, text, sizeof text);
    CHECK(strstr(text, "(x0)' = -10.000 x0 + 10.000 x1\n") == text);
    CHECK(nrx_dyn_model_print(m, 3, 0, NULL, 0) == strlen(text));
    nrx_dyn_model_to_c(m, "f", text, sizeof text);
    CHECK(strstr(text, "void f(const double *x, double *dxdt)") != NULL && strstr(text, "*x[0]*x[2]") != NULL);
    nrx_dyn_model_free(m);
    memset(&d, 0, sizeof d); /* its example of SR3 */
    d.library.degree = 2; d.optimizer = NRX_DYN_SR3; d.lambda = 0.1; d.nu = 1;
    CHECK(nrx_dyn_sindy(&q, &d, &m) == NRX_OK);
    (void)worst_coefficient(m, &ok);
    CHECK(ok);
    nrx_dyn_model_free(m);
    { /* its first example: x = 3 e^(-2t), y = e^t / 2, 100 points on [0, 1] */
        static double z[100][2];
        nrx_dyn_data first;
        int i;
        for (i = 0; i < 100; i++) { z[i][0] = 3 * exp(-2.0 * i / 99); z[i][1] = 0.5 * exp(i / 99.0); }
        memset(&first, 0, sizeof first);
        first.n = 100; first.d = 2; first.x = z[0]; first.dt = 1.0 / 99;
        memset(&d, 0, sizeof d);
        d.library.degree = 3; d.threshold = 0.2;
        CHECK(nrx_dyn_sindy(&first, &d, &m) == NRX_OK);
        nrx_dyn_model_print(m, 3, 0, text, sizeof text);
        if (strcmp(text, "(x0)' = -2.000 x0\n(x1)' = 1.000 x1\n") != 0) printf("%s", text);
        CHECK(strcmp(text, "(x0)' = -2.000 x0\n(x1)' = 1.000 x1\n") == 0);
        nrx_dyn_model_free(m);
    }
    q.dxdt = dx[0]; /* exact derivatives */
    for (o = 0; o <= 4; o++) {
        memset(&d, 0, sizeof d);
        d.library.degree = 2; d.optimizer = o;
        if (o == NRX_DYN_SR3 || o == NRX_DYN_TRAPPING) d.lambda = 0.1;
        CHECK(nrx_dyn_sindy(&q, &d, &m) == NRX_OK);
        e = worst_coefficient(m, &ok);
        if (!(ok && e < 1e-8)) printf("optimizer %d: support %d, error %g\n", o, ok, e);
        CHECK(ok);
        CHECK(e < 1e-8);
        if (o == NRX_DYN_TRAPPING) CHECK_NEAR(m->coef[16] + m->coef[25], 0, 1e-12); /* x1 (x0 x2) and x2 (x0 x1) cancel */
        nrx_dyn_model_free(m);
    }
    { /* constraint C w = c: the coefficients of x1 in equation 0 and x0 in equation 1 add up to 38 */
        double C[30] = {0}, c[1] = {38};
        memset(&d, 0, sizeof d);
        C[2] = 1; C[11] = 1;
        d.library.degree = 2; d.optimizer = NRX_DYN_SR3; d.lambda = 0.1; d.n_constraints = 1; d.constraint = C; d.constraint_value = c;
        CHECK(nrx_dyn_sindy(&q, &d, &m) == NRX_OK);
        CHECK_NEAR(m->coef[2] + m->coef[11], 38, 1e-9);
        nrx_dyn_model_free(m);
    }
    q.dxdt = NULL;
    lorenz(5000, 0.002);
    q = data_of(5000, 0.002);
    memset(&d, 0, sizeof d);
    d.library.degree = 2; d.weak_half = 50; d.weak_stride = 10; d.weak_power = 8; d.threshold = 0.5;
    CHECK(nrx_dyn_sindy(&q, &d, &m) == NRX_OK);
    e = worst_coefficient(m, &ok);
    CHECK(ok && e < 1e-11);
    nrx_dyn_model_free(m);
    d.ensemble = 10; /* keeps the support */
    CHECK(nrx_dyn_sindy(&q, &d, &m) == NRX_OK);
    e = worst_coefficient(m, &ok);
    CHECK(ok && e < 1e-9);
    nrx_dyn_model_free(m);
    { /* the printed model can be solved */
        nrx_vfield f;
        double tt[2] = {0, 1}, y[6], y0[3] = {-8, 8, 27};
        memset(&d, 0, sizeof d);
        d.library.degree = 5; d.weak_half = 50; d.weak_stride = 10; d.threshold = 0.1;
        CHECK(nrx_dyn_sindy(&q, &d, &m) == NRX_OK);
        CHECK(nrx_dyn_model_field(m, &f) == NRX_OK);
        CHECK(nrx_dyn_solve(&f, y0, 2, tt, y, NULL, NULL) == NRX_OK);
        CHECK_NEAR(y[3], x[500][0], 1e-3);
        nrx_dyn_model_free(m);
    }
    { /* the threshold path finds the seven terms */
        double th[4] = {1e-3, 0.05, 0.5, 5}, rows[16];
        size_t best;
        memset(&d, 0, sizeof d);
        d.library.degree = 2;
        CHECK(nrx_dyn_sindy_path(&q, &d, 4, th, rows, &best) == NRX_OK);
        CHECK(rows[4 * 1] == 7 && rows[4 * 2] == 7 && rows[4 * 3] < 7);
    }
}

static nrx_status vdp(void *user, double s, const double *y, double *d) { (void)user; (void)s; d[0] = -y[1]; d[1] = -(1 - y[0] * y[0]) * y[1] + y[0]; return NRX_OK; }

static void refusals(void)
{
    /* the public report of a score of 0.97 for a wrong model: degree 2 cannot hold x0^2 x1 */
    nrx_vfield f = {vdp, NULL, NULL, 2};
    double y0[2] = {1, 2};
    static double v[1500][2];
    nrx_dyn_solve_desc sd = NRX_ZERO;
    nrx_dyn_sindy_desc d = NRX_ZERO;
    nrx_dyn_data q;
    nrx_dyn_model *m;
    nrx_test_log_state log = {0, 0, {0}};
    size_t i;
    sd.method = NRX_DYN_DOP853; sd.rtol = sd.atol = 1e-12;
    for (i = 0; i < 1500; i++) t[i] = 0.01 * (double)i;
    CHECK(nrx_dyn_solve(&f, y0, 1500, t, v[0], &sd, NULL) == NRX_OK);
    memset(&q, 0, sizeof q);
    q.n = 1500; q.d = 2; q.x = v[0]; q.dt = 0.01;
    d.library.degree = 2;
    CHECK(nrx_dyn_sindy(&q, &d, &m) == NRX_OK);
    CHECK(m->verdict == NRX_DYN_MODEL_REJECTED);
    nrx_dyn_model_print(m, 3, 0, text, sizeof text);
    CHECK(strstr(text, "no equations") == text);
    nrx_dyn_model_free(m);
    d.library.degree = 0;
    CHECK(nrx_dyn_sindy(&q, &d, &m) == NRX_OK);
    nrx_dyn_model_print(m, 3, 0, text, sizeof text);
    CHECK(strcmp(text, "(x0)' = -1.000 x1\n(x1)' = 1.000 x0 + -1.000 x1 + 1.000 x0^2 x1\n") == 0);
    nrx_dyn_model_free(m);
    NRX_TEST_LOG_ENV(d.env, log);
    d.library.degree = 5;
    q.n = 10; CHECK(nrx_dyn_sindy(&q, &d, &m) == NRX_E_ARG); CHECK(strstr(log.last, "too few") != NULL); /* short */
    q.n = 1500; q.t = t; t[700] = t[699];
    CHECK(nrx_dyn_sindy(&q, &d, &m) == NRX_E_ARG); CHECK(strstr(log.last, "duplicated or unsorted") != NULL);
    t[700] = 0; CHECK(nrx_dyn_sindy(&q, &d, &m) == NRX_E_ARG);
    q.t = NULL;
    for (i = 0; i < 1500; i++) v[i][1] = 3;
    CHECK(nrx_dyn_sindy(&q, &d, &m) == NRX_E_NUMERIC); CHECK(strstr(log.last, "constant") != NULL);
    for (i = 0; i < 1500; i++) v[i][1] = 2 * v[i][0]; /* rank deficient without ridge */
    d.alpha = -1; d.library.degree = 2;
    CHECK(nrx_dyn_sindy(&q, &d, &m) == NRX_E_NUMERIC); CHECK(strstr(log.last, "dependent") != NULL);
    for (i = 0; i < 1500; i++) v[i][1] = HUGE_VAL - HUGE_VAL;
    CHECK_ALWAYS(nrx_dyn_sindy(&q, &d, &m) == NRX_E_NUMERIC);
}

static void others(void)
{
    { /* streaming R equals the QR of all rows at once: compare R^T R */
        nrx_dyn_stream s;
        nrx_test_rng r = {7};
        static double A[3000][4];
        double e = 0;
        size_t i, j, k;
        for (i = 0; i < 3000; i++) for (j = 0; j < 4; j++) A[i][j] = nrx_test_signed(&r);
        CHECK(nrx_dyn_stream_create(&s, 4, NULL) == NRX_OK);
        for (i = 0; i < 3000; i += 7) CHECK(nrx_dyn_stream_push(&s, i + 7 > 3000 ? 3000 - i : 7, A[i]) == NRX_OK);
        CHECK(nrx_dyn_stream_finish(&s) == NRX_OK);
        for (i = 0; i < 4; i++)
            for (j = 0; j < 4; j++) {
                double a = 0, b = 0;
                for (k = 0; k < 3000; k++) a += A[k][i] * A[k][j];
                for (k = 0; k < 4; k++) b += s.R[4 * k + i] * s.R[4 * k + j];
                e = fmax(e, fabs(a - b));
            }
        CHECK(e < 1e-10);
        nrx_dyn_stream_free(&s);
    }
    { /* discrete time: the Henon map */
        nrx_dyn_system s;
        nrx_dyn_sindy_desc d = NRX_ZERO;
        nrx_dyn_data q;
        nrx_dyn_model *m;
        static double h[500][2];
        CHECK(nrx_dyn_find("Henon", &s) == NRX_OK);
        CHECK(nrx_dyn_iterate(&s.field, s.y0, 100, 500, h[0]) == NRX_OK);
        memset(&q, 0, sizeof q);
        q.n = 500; q.d = 2; q.x = h[0]; q.dt = 1;
        d.library.degree = 2; d.time = NRX_DYN_DISCRETE;
        CHECK(nrx_dyn_sindy(&q, &d, &m) == NRX_OK);
        CHECK_NEAR(m->coef[0], 1, 1e-10);
        CHECK_NEAR(m->coef[3], -1.4, 1e-10);
        CHECK_NEAR(m->coef[7], 0.3, 1e-10);
        nrx_dyn_model_free(m);
    }
    { /* control: x' = -x + 2 u */
        static double c[2000], y[2000];
        nrx_dyn_data q;
        nrx_dyn_sindy_desc d = NRX_ZERO;
        nrx_dyn_model *m;
        int i;
        for (i = 0; i < 2000; i++) { double s = 0.005 * i; c[i] = sin(s) + 0.5 * cos(2.7 * s); y[i] = sin(s) - cos(s) + (cos(2.7 * s) + 2.7 * sin(2.7 * s)) / (1 + 2.7 * 2.7) + exp(-s); }
        memset(&q, 0, sizeof q);
        q.n = 2000; q.d = 1; q.x = y; q.dt = 0.005; q.n_controls = 1; q.controls = c;
        d.library.degree = 1;
        CHECK(nrx_dyn_sindy(&q, &d, &m) == NRX_OK);
        nrx_dyn_model_print(m, 2, 0, text, sizeof text);
        CHECK(strcmp(text, "(x0)' = -1.00 x0 + 2.00 u0\n") == 0);
        nrx_dyn_model_free(m);
    }
    { /* Burgers from the Cole-Hopf solution of two decaying modes: u_t = -u u_x + 0.1 u_xx */
        static double u[60][128];
        double coef[9], r2, L = 8;
        int i, j;
        for (i = 0; i < 60; i++)
            for (j = 0; j < 128; j++) {
                double k = 2 * 3.14159265358979323846 / L, s = 0.02 * i, z = L * j / 128, nu = 0.1;
                double p = 3 + exp(-nu * k * k * s) * cos(k * z) + 0.7 * exp(-4 * nu * k * k * s) * sin(2 * k * z);
                double pz = -k * exp(-nu * k * k * s) * sin(k * z) + 1.4 * k * exp(-4 * nu * k * k * s) * cos(2 * k * z);
                u[i][j] = -2 * nu * pz / p;
            }
        CHECK(nrx_dyn_pde_find(60, 128, u[0], 0.02, L / 128, 1, 2, 2, 0.02, coef, &r2, NULL) == NRX_OK);
        CHECK_NEAR(coef[4], -1, 1e-2); /* u u_1 */
        CHECK_NEAR(coef[6], 0.1, 1e-3); /* u_11 */
        CHECK(r2 > 0.999999);
    }
}

int main(void)
{
#if defined(NRX_TEST_ALLOC)
    nrx_test_heap heap;
    nrx_dyn_sindy_desc d = NRX_ZERO;
    nrx_dyn_data q;
    nrx_dyn_model *m;
    (void)names; (void)derivatives; (void)recovery; (void)refusals; (void)others;
    lorenz(200, 0.01);
    q = data_of(200, 0.01);
    d.library.degree = 2;
    NRX_TEST_EACH_ALLOC(d.env, heap, nrx_dyn_sindy(&q, &d, &m), nrx_dyn_model_free(m));
    d.weak_half = 20; d.ensemble = 3; d.derivative.method = NRX_DYN_SPLINE; d.optimizer = NRX_DYN_FROLS;
    NRX_TEST_EACH_ALLOC(d.env, heap, nrx_dyn_sindy(&q, &d, &m), nrx_dyn_model_free(m));
    return nrx_test_end();
#else
    names();
    derivatives();
    recovery();
    refusals();
    others();
    return nrx_test_end();
#endif
}
