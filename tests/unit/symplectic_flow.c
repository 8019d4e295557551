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
          { { 0.0027404270222, 0.000849303073242 }, { 0.00248787047345, -0.0865701584252 }, { 0.0453197605206, -0.120617489725 } } } };
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
            CHECK_NEAR(grad_at(f, "potentials_q.2.4.weight", 0, 5), v[d - 1].g[2][k], d == 2 && k ? 5e-13 : 1e-13);   /* half a digit as printed */
        }
        nrx_sym_flow_destroy(f);
    }
}

int main(void)
{
    test_vector();
    return nrx_test_end();
}
