/* What the other tests of nrx_dynsys.h leave out: HAVOK against stored numbers, neural ODE and its field, tangent flow, noise level, echo state
   network, kernels of EDMD, backward elimination, small measures.
   SPDX-License-Identifier: MIT-0 OR Unlicense */
#include "nrx_test.h"
#define NRX_DYNSYS_IMPLEMENTATION
#include "nrx_dynsys.h"

enum { N = 200000 };
static double t[N], x[N][3], first[N];

static void lorenz(size_t n, double dt, double start, int method)
{
    nrx_dyn_system s;
    nrx_dyn_solve_desc d = NRX_ZERO;
    double y0[3];
    size_t i;
    y0[0] = start; y0[1] = 8; y0[2] = 27;
    d.method = method;
    d.step = 0.001;
    d.rtol = d.atol = 1e-10;
    CHECK(nrx_dyn_find("Lorenz63", &s) == NRX_OK);
    for (i = 0; i < n; i++) t[i] = dt * (double)i;
    CHECK(nrx_dyn_solve(&s.field, y0, n, t, x[0], &d, NULL) == NRX_OK);
}

/* A sum of six cosines: singular values and the magnitudes of A (its last column: B), made by tests/ref/dynsys_havok.py with numpy 1.24.2 */
static const double havok_s[7] = {375.578611952631, 117.672128598175, 40.0513044377265, 12.0508269912126, 2.00767589936673, 0.278101386993381, 0.0265015814349509};
static const double havok_ab[6][7] = {
    {0.00224242046717, 1.6070658931, 0.00127162718385, 0.246046156468, 0.000103536875347, 0.00751181913492, 1.14723284056e-06},
    {1.61939367148, 0.0151207646995, 3.85843820189, 0.00375188804463, 0.258126816482, 8.18252781127e-05, 0.00418780374644},
    {0.0138857918876, 3.89291121679, 0.0184829464845, 5.47849397474, 0.00254244877127, 0.15216924642, 3.26364620744e-05},
    {0.232667904133, 0.0486959539681, 5.41716827098, 0.010796291026, 4.27822740527, 0.000378139644252, 0.0672352812957},
    {0.0186706702176, 0.31132484406, 0.0640526839634, 4.22580105659, 0.0389584700884, 4.6378716657, 0.000903453358257},
    {0.0123963165896, 0.0153231967065, 0.172565213783, 0.0105112829098, 4.65745346284, 0.00212097139607, 3.83156556991}};

/* T = 200 at dt = 0.001, 100 delays, r = 15: the matrix is tridiagonal and nearly skew; stored values (computed elsewhere, by
   QR + SVD, from another orbit). On one and the same orbit they agree to 1e-4: tests/long/dynsys_havok.c. By chaos every integrator follows an
   orbit of its own after t = 40; T = 200 is short, orbits from starts 0.1 apart give coefficients that scatter by 2.5 %, so 4 % are allowed here.
   The steps must be equal: the last singular values are 3e-13 of the first, below what interpolation between steps leaves. */
static void havok(void)
{
    static const double super[13] = {5.197, 9.870, 13.656, 18.682, 23.284, 28.508, 33.556, 38.793, 44.093, 49.433, 54.726, 60.225, 65.347};
    double A[14 * 14], B[14], s[15], rest = 0, all = 0;
    size_t i, j;
    lorenz(N, 0.001, -8, NRX_DYN_RK4);
    for (i = 0; i < N; i++) first[i] = x[i][0];
    CHECK(nrx_dyn_havok(N, first, 0.001, 100, 15, A, B, s, NULL) == NRX_OK);
    for (i = 0; i < 13; i++) {
        CHECK_REL(fabs(A[i * 14 + i + 1]), super[i], 0.04);
        CHECK_REL(fabs(A[(i + 1) * 14 + i]), super[i], 0.04);
    }
    CHECK_REL(fabs(B[13]), 72.69, 0.04);
    for (i = 0; i < 14; i++) for (j = 0; j < 14; j++) {
        all += A[i * 14 + j] * A[i * 14 + j];
        if (i + 1 != j && j + 1 != i) rest += A[i * 14 + j] * A[i * 14 + j];
    }
    CHECK(sqrt(rest / all) < 0.02); /* stored: 1.4 % */
    CHECK_REL(s[1] / s[0], 0.1532, 0.04);
    CHECK_REL(s[4] / s[0], 2.8e-4, 0.08);
    CHECK(nrx_dyn_havok(50, first, 0.001, 100, 15, A, B, s, NULL) == NRX_E_ARG);
    for (i = 0; i < 4000; i++) {
        static const double w[6] = {1, 2.3, 3.7, 5.1, 6.9, 8.3};
        for (first[i] = 0, j = 0; j < 6; j++) first[i] += cos(w[j] * 0.01 * (double)i + w[j]) / w[j];
    }
    CHECK(nrx_dyn_havok(4000, first, 0.01, 60, 7, A, B, s, NULL) == NRX_OK);
    for (i = 0; i < 7; i++) CHECK_REL(s[i], havok_s[i], 1e-10);
    for (i = 0; i < 6; i++) for (j = 0; j < 7; j++) CHECK_NEAR(fabs(j < 6 ? A[i * 6 + j] : B[i]), havok_ab[i][j], 1e-8);
}

/* A linear oscillator is learned; the field's Jacobian is the derivative of the field. */
static void neural(void)
{
    static double y[400][2], p[20 * 5 + 2];
    nrx_dyn_mlp m;
    nrx_vfield f;
    double first_loss, loss, e, at[2] = {0.3, -0.4}, d[2];
    size_t i;
    for (i = 0; i < 400; i++) { y[i][0] = cos(0.1 * (double)i); y[i][1] = -sin(0.1 * (double)i); }
    CHECK(nrx_dyn_neural_ode(400, 2, y[0], 0.1, 20, 10, 1, 1e-2, 3, 1, p, &first_loss, NULL) == NRX_OK);
    CHECK(nrx_dyn_neural_ode(400, 2, y[0], 0.1, 20, 10, 1500, 1e-2, 3, 0, p, &loss, NULL) == NRX_OK);
    CHECK(loss < 1e-3 * first_loss);
    m.n = 2; m.hidden = 20; m.params = p;
    CHECK(nrx_dyn_mlp_field(&m, &f) == NRX_OK);
    CHECK(nrx_dyn_check_jacobian(&f, 0, at, &e) == NRX_OK && e < 1e-6);
    at[0] = 1; at[1] = 0;
    CHECK(f.f(f.user, 0, at, d) == NRX_OK);
    CHECK_NEAR(d[0], 0, 0.05);
    CHECK_NEAR(d[1], -1, 0.05); /* on the orbit it saw */
}

/* Q' = J Q: along a Lorenz orbit the tangent column is the difference of two neighbouring orbits; with and without a Jacobian. */
static void tangents(void)
{
    nrx_dyn_system s;
    nrx_dyn_tangent g;
    nrx_vfield f;
    nrx_dyn_solve_desc d = NRX_ZERO;
    double buf[40], y[6] = {1, 2, 20, 1, 0.5, -0.3}, out[12], a[6], b[6], p[3], q[3], two[2] = {0, 0.5};
    int k, i;
    d.rtol = d.atol = 1e-11;
    CHECK(nrx_dyn_find("Lorenz63", &s) == NRX_OK);
    for (k = 0; k < 2; k++) {
        g.f = s.field; g.k = 1; g.buf = buf;
        if (k) g.f.jac = NULL;
        CHECK(nrx_dyn_tangent_field(&g, &f) == NRX_OK && f.n == 6);
        CHECK(nrx_dyn_solve(&f, y, 2, two, out, &d, NULL) == NRX_OK);
        for (i = 0; i < 3; i++) { p[i] = y[i] + 1e-5 * y[3 + i]; q[i] = y[i] - 1e-5 * y[3 + i]; }
        CHECK(nrx_dyn_solve(&s.field, p, 2, two, a, &d, NULL) == NRX_OK && nrx_dyn_solve(&s.field, q, 2, two, b, &d, NULL) == NRX_OK);
        for (i = 0; i < 3; i++) CHECK_NEAR(out[9 + i], (a[3 + i] - b[3 + i]) / 2e-5, 1e-4);
    }
}

static void small(void)
{
    static double y[5000][2], z[400], e[2], u[3000][3], g[600][3];
    nrx_test_rng r = {21};
    nrx_dyn_reservoir_desc q = NRX_ZERO;
    nrx_dyn_reservoir net;
    double a[2] = {1, -1}, b[2] = {1, 1}, v;
    size_t i;
    for (i = 0; i < 5000; i++) { /* sum of four uniforms: sd of the noise 1 % and 5 % of that of the signal */
        double n0 = 0, n1 = 0;
        int k;
        for (k = 0; k < 4; k++) { n0 += nrx_test_signed(&r); n1 += nrx_test_signed(&r); }
        y[i][0] = cos(0.02 * (double)i) + 0.01 * sqrt(0.5) * n0 / sqrt(4 / 3.0);
        y[i][1] = 7 * sin(0.02 * (double)i) + 7 * 0.05 * sqrt(0.5) * n1 / sqrt(4 / 3.0);
    }
    CHECK(nrx_dyn_noise_level(5000, 2, y[0], e) == NRX_OK);
    CHECK_REL(e[0], 0.01 * sqrt(0.5), 0.1);
    CHECK_REL(e[1], 7 * 0.05 * sqrt(0.5), 0.1);
    CHECK(nrx_dyn_embed(10, y[0], 3, 2, z) == NRX_OK);
    for (i = 0; i < 6; i++) { CHECK_NEAR(z[3 * i], (&y[0][0])[i], 0); CHECK_NEAR(z[3 * i + 2], (&y[0][0])[i + 4], 0); }
    CHECK_NEAR(nrx_dyn_smape(2, a, b), 100, 1e-12);
    CHECK_NEAR(nrx_dyn_smape(2, a, a), 0, 0);
    CHECK(nrx_dyn_version()[0] == '0');
    lorenz(4000, 0.02, -7, NRX_DYN_DOP853);
    for (i = 0; i < 3000; i++) memcpy(u[i], x[i + 400], sizeof u[i]);
    q.kind = NRX_DYN_ECHO;
    q.seed = 4;
    CHECK(nrx_dyn_reservoir_train(3000, 3, u[0], &q, &net) == NRX_OK && net.features == 301);
    CHECK(nrx_dyn_reservoir_run(&net, 3000, u[0], 600, g[0]) == NRX_OK);
    v = nrx_dyn_valid_time(600, 3, x[3400], g[0], 0.02, 0.4, 1 / 0.9056);
    CHECK(v > 2);
    nrx_dyn_reservoir_free(&net);
}

/* Kernels: exact on a linear map, whose eigenvalues 0.9 and 0.5 are among theirs. */
static void kernels(void)
{
    double a[400], b[400];
    int kernel;
    size_t i, j;
    nrx_test_rng r = {22};
    for (i = 0; i < 200; i++) { a[2 * i] = nrx_test_signed(&r); a[2 * i + 1] = nrx_test_signed(&r); b[2 * i] = 0.9 * a[2 * i]; b[2 * i + 1] = 0.5 * a[2 * i + 1]; }
    for (kernel = NRX_DYN_LAPLACIAN; kernel <= NRX_DYN_POLYNOMIAL; kernel++) {
        nrx_dyn_edmd_desc d = NRX_ZERO;
        nrx_dyn_spectrum s;
        static const double want[2] = {0.9, 0.5};
        d.kernel = kernel;
        CHECK(nrx_dyn_edmd(200, 2, a, b, &d, &s) == NRX_OK);
        for (j = 0; j < 2; j++) {
            double best = 9;
            for (i = 0; i < s.r; i++) best = fmin(best, hypot(s.eigenvalues[2 * i] - want[j], s.eigenvalues[2 * i + 1]));
            CHECK(best < (kernel == NRX_DYN_POLYNOMIAL ? 1e-9 : 0.05));
        }
        nrx_dyn_spectrum_free(&s);
    }
}

static void elimination(void)
{
    nrx_dyn_data q;
    nrx_dyn_sindy_desc d = NRX_ZERO;
    nrx_dyn_model *m;
    static const int truth[7] = {1, 2, 11, 12, 16, 23, 25};
    int i, count = 0;
    lorenz(5000, 0.002, -8, NRX_DYN_DOP853);
    memset(&q, 0, sizeof q);
    q.n = 5000; q.d = 3; q.x = x[0]; q.dt = 0.002;
    d.library.degree = 2;
    d.optimizer = NRX_DYN_SSR;
    d.derivative.order = 4;
    CHECK(nrx_dyn_sindy(&q, &d, &m) == NRX_OK);
    for (i = 0; i < 30; i++) count += fabs(m->coef[i]) > 0.02;
    for (i = 0; i < 7; i++) CHECK(fabs(m->coef[truth[i]]) > 0.9);
    CHECK(count == 7);
    CHECK_NEAR(m->coef[12], -1, 1e-3);
    nrx_dyn_model_free(m);
}

int main(void)
{
    havok();
    neural();
    tangents();
    small();
    kernels();
    elimination();
    return nrx_test_end();
}
