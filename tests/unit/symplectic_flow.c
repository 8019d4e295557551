/* SympFlow and relatives: the 40-digit test vector, gradients against differences, symplecticity, inverse, consistency.
   SPDX-License-Identifier: MIT-0 OR Unlicense */
/* run: alloc fp */
#include "../nrx_test.h"
#define NRX_SYMPLECTIC_IMPLEMENTATION
#include "nrx_symplectic.h"

static nrx_sym_flow *vector_flow(size_t d)
{
    nrx_sym_flow_desc desc = NRX_ZERO;
    nrx_sym_flow *f;
    double *v;
    size_t n, k;
    desc.d = d;
    CHECK_ALWAYS(nrx_sym_flow_create(&desc, &f) == NRX_OK);
    v = nrx_sym_flow_values(f, &n);
    CHECK(n == (d == 1 ? 907u : 967u));
    for (k = 0; k + 1 < n; k++) v[k] = 0.4 * sin(1.3 * (double)k + 0.7);
    v[n - 1] = 0.0;
    return f;
}

/* entry of a parameter gradient by block name */
static double grad_at(nrx_sym_flow *f, const char *name, size_t i, size_t j)
{
    size_t n, b;
    nrx_param *p = nrx_sym_flow_params(f, &n);
    for (b = 0; b < n; b++) if (strcmp(p[b].name, name) == 0) return ((double *)p[b].grad)[i * p[b].cols + j];
    CHECK(0);
    return 0;
}

static void test_vector(void)
{
    static const struct { double x[4], t, psi[4], H, H0, rate[4], Lres, Lham, g[3][2]; } v[2] = {
        { { 0.5, -0.8, 0, 0 }, 0.7, { 0.528282647957976, -0.812068302043773, 0, 0 }, 0.083103679081964, -0.0282391315159267,
          { 0.0325771928427405, -0.0153320307248866, 0, 0 }, 0.406068422301901, 0.110899330533254,
          { { -0.0013494419602, 0.000849862238281 }, { -0.000135116069142, 0.0334315156148 }, { -0.0115735264545, -0.0323502589158 } } },
        { { 0.3, -0.3, 0.3, 0.15 }, 0.7, { 0.230881500046372, -0.27783502824101, 0.367587768371953, 0.132755818004293 },
          0.0280966345636415, -0.129411558802775,
          { -0.0997671172435897, 0.0218634683855834, 0.0918207796922304, -0.0287781633827993 }, 0.867190182065034, 0.986300040159166,
          { { 0.0027404270222, 0.000849303073242 }, { 0.00248787047345, -0.0865701584252 }, { 0.0453197605206, -0.120617489724598 } } } };
    size_t d, j, b;
    for (d = 1; d <= 2; d++) {
        nrx_sym_flow *f = vector_flow(d);
        nrx_sym_system s = d == 1 ? nrx_sym_oscillator() : nrx_sym_henon_heiles();
        double y[4], r[4], H, zero = 0.0, x[12], t[3], w[2], Lr, Lh;
        int k;
        CHECK(nrx_sym_flow_eval(f, 1, &v[d - 1].t, v[d - 1].x, y) == NRX_OK);
        for (j = 0; j < 2 * d; j++) CHECK_NEAR(y[j], v[d - 1].psi[j], 1e-13);
        CHECK(nrx_sym_flow_rate(f, 1, &v[d - 1].t, v[d - 1].x, y, r) == NRX_OK);
        for (j = 0; j < 2 * d; j++) { CHECK_NEAR(y[j], v[d - 1].psi[j], 1e-13); CHECK_NEAR(r[j], v[d - 1].rate[j], 1e-13); }
        CHECK(nrx_sym_flow_hamiltonian(f, 1, &v[d - 1].t, v[d - 1].x, &H, NULL) == NRX_OK);
        CHECK_NEAR(H, v[d - 1].H, 1e-13);
        CHECK(nrx_sym_flow_hamiltonian(f, 1, &zero, v[d - 1].x, &H, NULL) == NRX_OK);
        CHECK_NEAR(H, v[d - 1].H0, 1e-13);
        for (b = 0; b < 3; b++) {
            for (j = 0; j < d; j++) {
                x[b * 2 * d + j] = 0.9 * cos(3.0 * (double)b + (double)j);
                x[b * 2 * d + d + j] = 0.9 * sin(3.0 * (double)b + (double)j);
            }
            t[b] = 0.2 + 0.3 * (double)b;
        }
        for (k = 0; k < 2; k++) {
            size_t n;
            (void)nrx_sym_flow_values(f, &n);
            memset(nrx_sym_flow_grads(f), 0, n * sizeof(double));
            w[0] = k == 0; w[1] = k == 1;
            CHECK(nrx_sym_flow_loss_physics(f, &s, 3, t, x, w, &Lr, &Lh) == NRX_OK);
            CHECK_NEAR(Lr, v[d - 1].Lres, 1e-13);
            CHECK_NEAR(Lh, v[d - 1].Lham, 1e-13);
            CHECK_NEAR(grad_at(f, "potentials_q.0.0.weight", 0, 0), v[d - 1].g[0][k], 1e-13);
            CHECK_NEAR(grad_at(f, "potentials_pi.1.2.weight", 3, 4), v[d - 1].g[1][k], 1e-13);
            CHECK_NEAR(grad_at(f, "potentials_q.2.4.weight", 0, 5), v[d - 1].g[2][k], 1e-13);
        }
        nrx_sym_flow_destroy(f);
    }
}

static nrx_sym_flow *make(int kind, size_t d, int act)
{
    nrx_sym_flow_desc c = NRX_ZERO;
    nrx_sym_flow *f;
    double *v;
    size_t n, i;
    c.d = d; c.kind = kind; c.activation = act; c.seed = 5; c.width = 7; c.layers = 3;
    CHECK_ALWAYS(nrx_sym_flow_create(&c, &f) == NRX_OK);
    v = nrx_sym_flow_values(f, &n);
    for (i = 0; i < n; i++) v[i] += 0.15 * sin(2.1 * (double)i + 0.3);
    return f;
}

/* every kind and activation: inverse, identity, symplecticity, tangents and parameter gradients against differences */
static void every_kind(void)
{
    static const int kinds[7] = { NRX_SYM_NET_SYMPFLOW, NRX_SYM_NET_LA, NRX_SYM_NET_G, NRX_SYM_NET_HENON, NRX_SYM_NET_HNN,
                                  NRX_SYM_NET_GENERATING, NRX_SYM_NET_MLP };
    int k, act;
    for (k = 0; k < 7; k++)
        for (act = 0; act < 5; act++) {
            const size_t d = 2, rows = 11, m = 4;
            nrx_sym_flow *f = make(kinds[k], d, act);
            nrx_sym_map map;
            nrx_sym_report r;
            nrx_sym_check_desc cd = NRX_ZERO;
            double x[44], y[44], z[44], t[11], u[44], xbar[44], l0, l1, *v, *g, zero[11] = { 0 }, e = 1e-6;
            size_t n, i, j;
            nrx_test_rng rng = { 12345 };
            for (i = 0; i < rows * m; i++) { x[i] = 0.7 * nrx_test_signed(&rng); u[i] = nrx_test_signed(&rng); }
            for (i = 0; i < rows; i++) t[i] = 0.5 * nrx_test_signed(&rng);
            CHECK(nrx_sym_flow_eval(f, rows, t, x, y) == NRX_OK);
            if (kinds[k] != NRX_SYM_NET_MLP) {
                CHECK(nrx_sym_flow_inverse(f, rows, t, y, z) == NRX_OK);
                for (i = 0; i < rows * m; i++) CHECK_NEAR(z[i], x[i], kinds[k] == NRX_SYM_NET_HNN ? 1e-12 : 2e-13);
            } else {
                CHECK(nrx_sym_flow_inverse(f, rows, t, y, z) == NRX_E_UNSUPPORTED);
            }
            if (kinds[k] != NRX_SYM_NET_HENON) {
                CHECK(nrx_sym_flow_eval(f, rows, zero, x, z) == NRX_OK);
                for (i = 0; i < rows * m; i++) CHECK(z[i] == x[i]);
            }
            CHECK(nrx_sym_flow_map(f, &map) == NRX_OK);
            cd.h = 0.4; cd.halvings = -1;
            CHECK(nrx_sym_check(&map, x, &cd, &r) == NRX_OK);
            if (kinds[k] == NRX_SYM_NET_MLP) CHECK(r.symplectic > 1e-4 && !r.symplectic_ok);
            else CHECK(r.symplectic < 1e-13 && r.determinant < 1e-12 && r.symplectic_ok);
            map.tangent = NULL;                                     /* and from differences alone */
            CHECK(nrx_sym_check(&map, x, &cd, &r) == NRX_OK);
            if (kinds[k] != NRX_SYM_NET_MLP) CHECK(r.symplectic < 1e-9);
            {   /* tangents against differences of the map */
                double M[16];
                CHECK(nrx_sym_flow_jacobian(f, t[0], x, M) == NRX_OK);
                for (j = 0; j < m; j++) {
                    double a[4], b[4], ya[4], yb[4];
                    memcpy(a, x, sizeof a); memcpy(b, x, sizeof b);
                    a[j] += 1e-5; b[j] -= 1e-5;
                    CHECK(nrx_sym_flow_eval(f, 1, t, a, ya) == NRX_OK && nrx_sym_flow_eval(f, 1, t, b, yb) == NRX_OK);
                    for (i = 0; i < m; i++) CHECK_NEAR(M[i * m + j], (ya[i] - yb[i]) / 2e-5, 2e-9);
                }
            }
            v = nrx_sym_flow_values(f, &n); g = nrx_sym_flow_grads(f);
            if (kinds[k] == NRX_SYM_NET_HNN) {
                CHECK(nrx_sym_flow_vjp(f, rows, t, x, u, xbar) == NRX_E_UNSUPPORTED);
                memset(g, 0, n * sizeof *g);
                CHECK(nrx_sym_flow_loss_data(f, rows, t, x, u, 1.0, &l0) == NRX_OK);
                for (i = 0; i < n; i += 5) {
                    double keep = v[i], num;
                    v[i] = keep + e; (void)nrx_sym_flow_loss_data(f, rows, t, x, u, 0.0, &l1);
                    v[i] = keep - e; (void)nrx_sym_flow_loss_data(f, rows, t, x, u, 0.0, &l0);
                    v[i] = keep;
                    num = (l1 - l0) / (2 * e);
                    CHECK_NEAR(g[i], num, 1e-8 * (1 + fabs(num)));
                }
            } else {
                memset(g, 0, n * sizeof *g);
                CHECK(nrx_sym_flow_vjp(f, rows, t, x, u, xbar) == NRX_OK);
                for (i = 0; i < n + rows * m; i += i < n ? 5 : 3) {
                    double *at = i < n ? &v[i] : &x[i - n], keep = *at, num = 0;
                    *at = keep + e; (void)nrx_sym_flow_eval(f, rows, t, x, y);
                    *at = keep - e; (void)nrx_sym_flow_eval(f, rows, t, x, z);
                    *at = keep;
                    for (j = 0; j < rows * m; j++) num += u[j] * (y[j] - z[j]) / (2 * e);
                    CHECK_NEAR(i < n ? g[i] : xbar[i - n], num, 2e-8 * (1 + fabs(num)));
                }
            }
            nrx_sym_flow_destroy(f);
        }
}

/* physics loss: all parameter gradients against differences, also projected and for the MLP; d/dt psi = J grad Hhat */
static void physics(void)
{
    static const double damping = 0.3;
    int k, act, j;
    for (k = 0; k < 3; k++)
        for (act = 0; act < 5; act++) {
            const size_t rows = 9;
            nrx_sym_flow_desc c = NRX_ZERO;
            nrx_sym_system s = k == 1 ? nrx_sym_damped_oscillator(&damping) : nrx_sym_henon_heiles();
            nrx_sym_flow *f;
            double x[36], t[9], *v, *g, lr[2], lm[2];
            size_t n, i;
            nrx_test_rng rng = { 99 };
            c.d = 2; c.kind = k == 2 ? NRX_SYM_NET_MLP : NRX_SYM_NET_SYMPFLOW; c.project = k == 1; c.activation = act; c.width = 6; c.layers = 2; c.seed = 3;
            CHECK(nrx_sym_flow_create(&c, &f) == NRX_OK);
            v = nrx_sym_flow_values(f, &n); g = nrx_sym_flow_grads(f);
            for (i = 0; i < n; i++) v[i] += 0.2 * sin(1.7 * (double)i);
            for (i = 0; i < 36; i++) x[i] = 0.6 * nrx_test_signed(&rng);
            for (i = 0; i < rows; i++) t[i] = nrx_test_signed(&rng);
            for (j = 0; j < 3; j++) {
                double w[2], e = 1e-6;
                w[0] = j != 1; w[1] = j != 0 ? 0.7 : 0.0;
                memset(g, 0, n * sizeof *g);
                CHECK(nrx_sym_flow_loss_physics(f, &s, rows, t, x, w, NULL, NULL) == NRX_OK);
                for (i = 0; i < n; i += 7) {
                    double keep = v[i], num;
                    v[i] = keep + e; (void)nrx_sym_flow_loss_physics(f, &s, rows, t, x, NULL, &lr[0], &lm[0]);
                    v[i] = keep - e; (void)nrx_sym_flow_loss_physics(f, &s, rows, t, x, NULL, &lr[1], &lm[1]);
                    v[i] = keep;
                    num = (w[0] * (lr[0] - lr[1]) + w[1] * (lm[0] - lm[1])) / (2 * e);
                    CHECK_NEAR(g[i], num, 3e-8 * (1 + fabs(num)));
                }
            }
            if (k == 0) {
                double y[36], r[36], H[9], grad[36];
                CHECK(nrx_sym_flow_rate(f, rows, t, x, y, r) == NRX_OK);
                CHECK(nrx_sym_flow_hamiltonian(f, rows, t, y, H, grad) == NRX_OK);
                for (i = 0; i < rows; i++)
                    for (j = 0; j < 2; j++) {
                        CHECK_NEAR(r[4 * i + (size_t)j], grad[4 * i + 2 + (size_t)j], 1e-13);
                        CHECK_NEAR(r[4 * i + 2 + (size_t)j], -grad[4 * i + (size_t)j], 1e-13);
                    }
            }
            nrx_sym_flow_destroy(f);
        }
}

static void files(void)
{
    nrx_sym_flow *f = make(NRX_SYM_NET_SYMPFLOW, 2, 0), *g = NULL;
    unsigned char *b, *bad;
    size_t n, size, i, k;
    double *v = nrx_sym_flow_values(f, &n), *w;
    nrx_test_rng rng = { 4 };
    CHECK(nrx_sym_flow_save_memory(f, &b, &size) == NRX_OK);
    CHECK(nrx_sym_flow_load_memory(b, size, NULL, &g) == NRX_OK);
    if (g) { w = nrx_sym_flow_values(g, &k); CHECK(k == n && memcmp(v, w, n * sizeof *v) == 0); nrx_sym_flow_destroy(g); }
    for (i = 0; i < size; i += i < 600 ? 1 : 97) CHECK(nrx_sym_flow_load_memory(b, i, NULL, &g) == NRX_E_FORMAT && !g);
    bad = (unsigned char *)malloc(size);
    for (k = 0; k < 3000; k++) {      /* damaged headers: any status, no crash, no leak */
        memcpy(bad, b, size);
        for (i = 0; i < 1 + k % 4; i++) bad[nrx_test_below(&rng, k % 2 ? 60 : 2500)] = (unsigned char)nrx_test_below(&rng, 256);
        if (nrx_sym_flow_load_memory(bad, size, NULL, &g) == NRX_OK) nrx_sym_flow_destroy(g);
    }
    CHECK(1);
    free(bad);
    nrx_sym_bytes_free(f, b);
    nrx_sym_flow_destroy(f);
}

static void training(void)
{
    nrx_sym_flow *f, *h;
    nrx_sym_flow_desc c = NRX_ZERO;
    nrx_sym_train_desc t = NRX_ZERO;
    nrx_sym_train_info info;
    nrx_sym_system osc = nrx_sym_oscillator(), learned;
    double x[256], y[256], times[128], bound, error, x0[2] = { 0.7, 0.1 };
    nrx_test_rng rng = { 6 };
    size_t i;
    c.d = 1; c.seed = 2;
    CHECK(nrx_sym_flow_create(&c, &f) == NRX_OK);
    t.system = &osc; t.steps = 150; t.batch = 64; t.lr = 2e-2; t.refine = 60; t.refine_points = 128; t.matching = 1.0; t.test_points = 64;
    CHECK(nrx_sym_flow_train(f, &t, &info) == NRX_OK);
    CHECK(info.test < 5e-3 && info.steps > 150);
    CHECK(info.test_matching > 0.0 && info.test_matching < 0.05);
    CHECK(nrx_sym_flow_energy_bound(f, &osc, 1.0, 7.5, 8, x0, &bound, &error) == NRX_OK);
    CHECK(error <= bound && bound < 1.0);
    for (i = 0; i < 128; i++) {
        x[2 * i] = nrx_test_signed(&rng); x[2 * i + 1] = nrx_test_signed(&rng); times[i] = nrx_test_uniform(&rng);
        y[2 * i] = cos(times[i]) * x[2 * i] + sin(times[i]) * x[2 * i + 1];
        y[2 * i + 1] = cos(times[i]) * x[2 * i + 1] - sin(times[i]) * x[2 * i];
    }
    t.x = x; t.y = y; t.t = times; t.rows = 128; t.refine = 100;
    CHECK(nrx_sym_flow_train(f, &t, &info) == NRX_OK);
    CHECK(info.test < 1e-5);
    nrx_sym_flow_destroy(f);
    c.kind = NRX_SYM_NET_HNN; c.width = 16;
    CHECK(nrx_sym_flow_create(&c, &h) == NRX_OK);
    for (i = 0; i < 128; i++) { y[2 * i] = x[2 * i + 1]; y[2 * i + 1] = -x[2 * i]; }
    CHECK(nrx_sym_flow_train(h, &t, &info) == NRX_OK);
    CHECK(info.test < 1e-4);
    CHECK(nrx_sym_flow_system(h, &learned) == NRX_OK);
    CHECK(nrx_sym_integrate(&learned, NRX_SYM_GAUSS6, x0, 0.05, 20, NULL, NULL) == NRX_OK);
    CHECK_NEAR(x0[0], 0.7 * cos(1.0) + 0.1 * sin(1.0), 0.02);
    nrx_sym_flow_destroy(h);
    t.x = NULL; t.lr = -1;
    CHECK(nrx_sym_flow_create(&c, &h) == NRX_OK);
    CHECK(nrx_sym_flow_train(h, &t, &info) == NRX_E_ARG);
    t.lr = 0;
    CHECK(nrx_sym_flow_train(h, &t, &info) == NRX_E_UNSUPPORTED);
    nrx_sym_flow_destroy(h);
}

#if defined(NRX_TEST_ALLOC)
static nrx_status whole(nrx_env *env)
{
    nrx_sym_flow_desc c = NRX_ZERO;
    nrx_sym_train_desc t = NRX_ZERO;
    nrx_sym_system osc = nrx_sym_oscillator();
    nrx_sym_flow *f, *g = NULL;
    unsigned char *b = NULL;
    size_t size;
    nrx_status s;
    c.d = 1; c.width = 3; c.layers = 1; c.env = *env;
    s = nrx_sym_flow_create(&c, &f);
    if (s != NRX_OK) return s;
    t.system = &osc; t.steps = 2; t.batch = 8; t.test_points = 8; t.refine = 2; t.refine_points = 8; t.env = *env;
    s = nrx_sym_flow_train(f, &t, NULL);
    if (s == NRX_OK) s = nrx_sym_flow_save_memory(f, &b, &size);
    if (s == NRX_OK) { s = nrx_sym_flow_load_memory(b, size, &c, &g); nrx_sym_bytes_free(f, b); }
    nrx_sym_flow_destroy(g);
    nrx_sym_flow_destroy(f);
    return s;
}
#endif

int main(void)
{
#if defined(NRX_TEST_ALLOC)
    nrx_env env = NRX_ZERO;
    nrx_test_heap heap;
    NRX_TEST_EACH_ALLOC(env, heap, whole(&env), (void)0);
    return nrx_test_end();
#endif
    test_vector();
    every_kind();
    physics();
    files();
    training();
    return nrx_test_end();
}
