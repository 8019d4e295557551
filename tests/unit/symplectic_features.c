/* Self-check of every method, invariants, events, gradients, constraints, bad input of nrx_symplectic.h.
   SPDX-License-Identifier: MIT-0 OR Unlicense */
/* run: alloc threads reproducible */
#define NRX_TEST_POOL
#include "../nrx_test.h"
#define NRX_SYMPLECTIC_IMPLEMENTATION
#include "nrx_symplectic.h"

/* symplecticity, determinant, reversibility of every method at one step, through tangents and through differences */
static void self_check(void)
{
    static const double field[2] = { 0.8, 1.0 }, x4[4] = { 0.6, -0.3, 0.4, 0.7 }, x2[2] = { 0.9, 0.4 };
    nrx_sym_system sys[4];
    const double *x[4];
    int m, k;
    sys[0] = nrx_sym_henon_heiles(); sys[1] = nrx_sym_double_pendulum(); sys[2] = nrx_sym_relativistic_pendulum(); sys[3] = nrx_sym_charged_particle(field);
    x[0] = x4; x[1] = x4; x[2] = x2; x[3] = x4;
    for (m = 0; m < NRX_SYM_METHOD_COUNT; m++)
        for (k = 0; k < 4; k++) {
            nrx_sym_method_map_storage store;
            nrx_sym_map map;
            nrx_sym_report r;
            nrx_sym_check_desc c = NRX_ZERO;
            nrx_sym_desc desc = NRX_ZERO;
            nrx_sym_scheme s;
            double wide[8];
            size_t i;
            const int plain = m == NRX_SYM_RK4 || m == NRX_SYM_EXPLICIT_EULER;
            if (m == NRX_SYM_RATTLE || m == NRX_SYM_SHAKE || m == NRX_SYM_RESPA || m == NRX_SYM_BAOAB || m == NRX_SYM_WISDOM_HOLMAN ||
                m == NRX_SYM_SABA2 || m == NRX_SYM_SABA1064) continue;
            if (nrx_sym_method_map(&sys[k], m, &desc, &store, &map) != NRX_OK) {
                CHECK(nrx_sym_method_order(&sys[k], m, 0) == 0);
                continue;
            }
            for (i = 0; i < sys[k].d; i++) {                        /* doubled space: q, x, p, y */
                wide[i] = x[k][i]; wide[sys[k].d + i] = x[k][i] + 0.01;
                wide[2 * sys[k].d + i] = x[k][sys[k].d + i]; wide[3 * sys[k].d + i] = x[k][sys[k].d + i] - 0.02;
            }
            c.h = 0.1; c.halvings = -1;
            CHECK(nrx_sym_check(&map, m == NRX_SYM_TAO ? wide : x[k], &c, &r) == NRX_OK);
            if (plain) { CHECK(r.symplectic > (m == NRX_SYM_RK4 ? 1e-9 : 1e-4)); continue; }
    
            CHECK(r.symplectic < 1e-12);
            CHECK(r.determinant < 1e-10);
            if (nrx_sym_scheme_get(m, &s) != NRX_OK || s.symmetric) {
                CHECK(r.symmetry < 2e-14);
                if (k != 3) CHECK(r.reversibility < 2e-14);
            }
            map.tangent = NULL;
            CHECK(nrx_sym_check(&map, m == NRX_SYM_TAO ? wide : x[k], &c, &r) == NRX_OK);
            CHECK(r.symplectic < 1e-12);
        }
    {   /* composed methods; observed order reported by the check */
        nrx_sym_method_map_storage store;
        nrx_sym_map map;
        nrx_sym_report r;
        nrx_sym_check_desc c = NRX_ZERO;
        nrx_sym_desc desc = NRX_ZERO;
        static const int how[3] = { NRX_SYM_FOREST_RUTH, NRX_SYM_SUZUKI4, NRX_SYM_KAHAN_LI6 };
        static const int base[3] = { NRX_SYM_MIDPOINT, NRX_SYM_SEMI_EXPLICIT, NRX_SYM_LOBATTO2 };
        int i, j;
        for (i = 0; i < 3; i++)
            for (j = 0; j < 3; j++) {
                desc.compose = how[i];
                CHECK(nrx_sym_method_map(&sys[2], base[j], &desc, &store, &map) == NRX_OK);
                c.h = i == 2 ? 0.3 : 0.1; c.span = 3.0; c.halvings = 4;
                CHECK(nrx_sym_check(&map, x2, &c, &r) == NRX_OK);
                CHECK(r.symplectic < 1e-12);
                CHECK_NEAR(r.order, i == 2 ? 6.0 : 4.0, 0.15);
                CHECK(nrx_sym_method_order(&sys[2], base[j], how[i]) == (i == 2 ? 6 : 4));
            }
    }
}

static void invariants(void)
{
    static const double k0[4] = { 0.4, 0, 0, 2 };
    nrx_sym_system kep = nrx_sym_kepler(), osc = nrx_sym_oscillator(), hh = nrx_sym_henon_heiles();
    nrx_sym_desc c = NRX_ZERO;
    nrx_sym_info info;
    double z[4], L0 = 0.8, h = 0.1, I0;
    int m;
    c.roundoff = NRX_SYM_COMPENSATED;
    for (m = 0; m <= NRX_SYM_SOFRONIOU_SPALETTA10; m++) {          /* angular momentum to round-off */
        memcpy(z, k0, sizeof z);
        CHECK(nrx_sym_integrate(&kep, m, z, 0.01, 5000, &c, NULL) == NRX_OK);
        CHECK_NEAR(z[0] * z[3] - z[1] * z[2], L0, 2e-14);
    }
    for (m = NRX_SYM_MIDPOINT; m <= NRX_SYM_GAUSS8; m++) {         /* Gauss: quadratic invariants */
        memcpy(z, k0, sizeof z);
        CHECK(nrx_sym_integrate(&kep, m, z, 0.02, 2000, &c, NULL) == NRX_OK);
        CHECK_NEAR(z[0] * z[3] - z[1] * z[2], L0, 2e-13);
    }
    /* Verlet on the oscillator: p^2/2 + (1 - h^2/4) q^2/2 is exact; unstable at h = 2 */
    z[0] = 1; z[1] = 0.3;
    I0 = z[1] * z[1] + (1 - h * h / 4) * z[0] * z[0];
    CHECK(nrx_sym_integrate(&osc, NRX_SYM_VERLET_KDK, z, h, 100000, &c, NULL) == NRX_OK);
    CHECK_NEAR(z[1] * z[1] + (1 - h * h / 4) * z[0] * z[0], I0, 1e-14);
    z[0] = 1; z[1] = 0.3;
    CHECK(nrx_sym_integrate(&osc, NRX_SYM_VERLET, z, 1.99, 10000, NULL, NULL) == NRX_OK && fabs(z[0]) < 20);
    z[0] = 1; z[1] = 0.3;
    CHECK(nrx_sym_integrate(&osc, NRX_SYM_VERLET, z, 2.01, 100000, NULL, &info) == NRX_E_NUMERIC);
    CHECK(nrxi_all_finite(z, 2, NRX_F64) && info.steps > 100 && info.steps < 100000);
    /* Compensated against plain: Kahan-Li 8, 1e5 steps of 0.01 from 16 momenta on the surface E = 0.13 through q = (0.1, 0).
       What round-off does to the energy of one plain orbit is a random walk, so only its mean over orbits has a bound: 1.7e6 kicks
       and drifts each round coordinates of 0.25 to 0.5, standard deviation 2^-54/sqrt(3) times |grad H| = 0.5: 1.05e-14 at the end;
       the square of the farthest point of a walk is 1.83 times that of its end: 1.4e-14. */
    {
        double mean[2] = { 0, 0 }, worst = 0;
        int i, k;
        for (i = 0; i < 2; i++)
            for (k = 0; k < 16; k++) {
                const double angle = NRX_PI * k / 8;
                nrx_sym_desc d = NRX_ZERO;
                double a[4] = { 0.1, 0, 0, 0 };
                a[2] = 0.5 * cos(angle); a[3] = 0.5 * sin(angle);
                d.roundoff = i; d.every = 10;
                CHECK(nrx_sym_integrate(&hh, NRX_SYM_KAHAN_LI8, a, 0.01, 100000, &d, &info) == NRX_OK);
                mean[i] += info.max_energy_error * info.max_energy_error / 16;
                if (i && info.max_energy_error > worst) worst = info.max_energy_error;
            }
        if (getenv("VERBOSE")) printf("energy, 16 orbits: plain rms %.3g, compensated rms %.3g, worst %.3g\n", sqrt(mean[0]), sqrt(mean[1]), worst);
        CHECK(sqrt(mean[0]) < 2 * 1.4e-14);
        CHECK(worst < 2.3e-16 && sqrt(mean[1]) < sqrt(mean[0]) / 5);
    }
    {   /* carry: two calls with it keep the precision of one */
        double a[4] = { 0.1, 0, 0, 0.5 }, b[4] = { 0.1, 0, 0, 0.5 }, carry[4] = { 0 };
        nrx_sym_desc d = NRX_ZERO;
        d.roundoff = 1; d.carry = carry;
        CHECK(nrx_sym_integrate(&hh, NRX_SYM_VERLET_KDK, a, 0.01, 3000, &c, NULL) == NRX_OK);
        CHECK(nrx_sym_integrate(&hh, NRX_SYM_VERLET_KDK, b, 0.01, 1000, &d, NULL) == NRX_OK);
        CHECK(nrx_sym_integrate(&hh, NRX_SYM_VERLET_KDK, b, 0.01, 2000, &d, NULL) == NRX_OK);
        CHECK_NEAR(a[0], b[0], 1e-15); CHECK_NEAR(a[3], b[3], 1e-15);
    }
}

static int count_hits(void *user, size_t index, double t, const double *z) { (void)index; (void)t; (void)z; return ++*(int *)user >= 3; }
static double height(void *user, double t, const double *z) { (void)user; (void)t; return z[0]; }

static void events(void)
{
    static const double want[2][3][4] = {
        { { 3.4165119624, 0.5295274545, -0.2495573717, 0.1277023376 }, { 9.4311691113, 0.6618611371, 0.0991063232, 0.0735375490 },
          { 16.0169924488, 0.4389165963, 0.3416477238, 0.0836655595 } },
        { { 6.5175555429, -0.2104194469, 0.3142373437, 0.3275171431 }, { 12.7698475590, -0.2354737495, 0.3870271537, 0.2062952925 },
          { 17.6743960819, -0.1158516821, -0.4399420992, 0.2202106406 } } };
    static const double start[2][4] = { { 0.1, 0, 0, 0.5 }, { 0.3, -0.3, 0.3, 0.15 } };
    nrx_sym_system hh = nrx_sym_henon_heiles();
    nrx_sym_desc d = NRX_ZERO;
    nrx_sym_info info;
    double rows[15], z[4], a[4], times[5] = { 0.0, 0.35, 1.0, 7.7777, 10.0 }, dense[20], b[4];
    size_t found, i, j;
    int hits = 0;
    for (i = 0; i < 2; i++) {
        memcpy(z, start[i], sizeof z);
        CHECK(nrx_sym_poincare(&hh, NRX_SYM_KAHAN_LI8, z, 0.1, 1000, 0, 0.0, 1, rows, 3, &found, NULL) == NRX_OK);
        CHECK(found == 3);
        for (j = 0; j < 3; j++) {
            CHECK_NEAR(rows[5 * j], want[i][j][0], 1e-10); CHECK_NEAR(rows[5 * j + 1], 0.0, 1e-15);
            CHECK_NEAR(rows[5 * j + 2], want[i][j][1], 1e-10); CHECK_NEAR(rows[5 * j + 4], want[i][j][2], 1e-10);
            CHECK_NEAR(rows[5 * j + 3], want[i][j][3], 1e-10);
        }
    }
    /* looking does not change the orbit by a bit */
    memcpy(z, start[0], sizeof z); memcpy(a, start[0], sizeof a);
    d.event = height; d.on_event = count_hits; d.event_user = &hits; d.every = 7; d.times = times; d.times_count = 5; d.dense = dense;
    CHECK(nrx_sym_integrate(&hh, NRX_SYM_PEFRL, z, 0.05, 200, &d, &info) == NRX_OK);
    CHECK(info.stopped || info.events < 3);
    hits = -1000;
    memcpy(z, start[0], sizeof z);
    CHECK(nrx_sym_integrate(&hh, NRX_SYM_PEFRL, z, 0.05, 200, &d, &info) == NRX_OK);
    CHECK(nrx_sym_integrate(&hh, NRX_SYM_PEFRL, a, 0.05, 200, NULL, NULL) == NRX_OK);
    CHECK(memcmp(a, z, sizeof z) == 0);
    CHECK(info.dense_rows == 5 && memcmp(dense, start[0], sizeof z) == 0);
    memcpy(b, start[0], sizeof b);
    CHECK(nrx_sym_integrate(&hh, NRX_SYM_KAHAN_LI8, b, 7.7777 / 400, 400, NULL, NULL) == NRX_OK);
    for (j = 0; j < 4; j++) CHECK_NEAR(dense[12 + j], b[j], 3e-7);
    {   /* backwards in time, descending times */
        double back[2] = { -0.35, -2.0 };
        nrx_sym_desc e = NRX_ZERO;
        e.times = back; e.times_count = 2; e.dense = dense;
        memcpy(z, start[0], sizeof z);
        CHECK(nrx_sym_integrate(&hh, NRX_SYM_KAHAN_LI8, z, -0.05, 40, &e, &info) == NRX_OK && info.dense_rows == 2);
        for (j = 0; j < 4; j++) CHECK_NEAR(dense[4 + j], z[j], 1e-13);
    }
}

static nrx_status stiff_dq(void *user, double t, const double *q, const double *p, double *g)
{ (void)user; (void)t; (void)p; g[0] = 100.0 * q[0] + q[0] * q[0] * q[0]; return NRX_OK; }
static nrx_status stiff_fast(void *user, double t, const double *q, const double *p, double *g)
{ (void)user; (void)t; (void)p; g[0] = 100.0 * q[0]; return NRX_OK; }
static nrx_status gravity_dq(void *user, double t, const double *q, const double *p, double *g)
{ (void)user; (void)t; (void)p; (void)q; g[0] = 0; g[1] = 1.0; return NRX_OK; }
static nrx_status rod(void *user, const double *q, double *g) { (void)user; g[0] = 0.5 * (q[0] * q[0] + q[1] * q[1] - 1.0); return NRX_OK; }
static nrx_status rod_jac(void *user, const double *q, double *G) { (void)user; G[0] = q[0]; G[1] = q[1]; return NRX_OK; }
static nrx_status broken_dq(void *user, double t, const double *q, const double *p, double *g)
{ (void)user; (void)p; g[0] = t > 1.0 ? sqrt(-1.0 - q[0] * q[0]) : q[0]; return NRX_OK; }

static void other_methods(void)
{
    nrx_sym_system s = NRX_ZERO;
    nrx_sym_desc d = NRX_ZERO;
    nrx_sym_info info;
    double z[4], a[4];
    int i, k;
    /* a pendulum as a bead on a rod against the pendulum in its angle: q = (sin, -cos) */
    s.d = 2; s.structure = NRX_SYM_NEWTON; s.dq = gravity_dq;
    d.constraints.m = 1; d.constraints.g = rod; d.constraints.jac = rod_jac;
    for (k = 0; k < 2; k++) {
        double e[2];
        for (i = 0; i < 2; i++) {
            const double angle = 0.11425225501760429923;             /* pendulum (0, 1) at t = 10 */
            z[0] = 0; z[1] = -1; z[2] = 1; z[3] = 0;
            d.compose = k ? NRX_SYM_SUZUKI4 : 0;
            CHECK(nrx_sym_integrate(&s, NRX_SYM_RATTLE, z, 0.02 / (1 + i), 500 * (1 + (size_t)i), &d, &info) == NRX_OK);
            CHECK(info.defect < 1e-14);
            CHECK_NEAR(z[0] * z[2] + z[1] * z[3], 0.0, 1e-14);
            e[i] = hypot(z[0] - sin(angle), z[1] + cos(angle));
        }
        CHECK_NEAR(log(e[0] / e[1]) / log(2.0), k ? 4.0 : 2.0, 0.15);
    }
    d.compose = 0;
    memcpy(a, z, sizeof a);
    z[0] = a[0] = 0; z[1] = a[1] = -1; z[2] = a[2] = 1; z[3] = a[3] = 0;
    CHECK(nrx_sym_integrate(&s, NRX_SYM_RATTLE, z, 0.01, 100, &d, NULL) == NRX_OK);
    CHECK(nrx_sym_integrate(&s, NRX_SYM_SHAKE, a, 0.01, 100, &d, NULL) == NRX_OK);
    CHECK_NEAR(z[0], a[0], 1e-12); CHECK_NEAR(z[1], a[1], 1e-12);    /* the same positions */
    CHECK(nrx_sym_integrate(&s, NRX_SYM_RATTLE, z, 0.01, 100, NULL, NULL) == NRX_E_UNSUPPORTED);
    /* r-RESPA: order 2, and level with Verlet at the small step where the slow force is weak */
    memset(&s, 0, sizeof s);
    s.d = 1; s.structure = NRX_SYM_NEWTON; s.dq = stiff_dq;
    memset(&d, 0, sizeof d);
    d.fast = stiff_fast; d.substeps = 10;
    {
        double e[2], ref[2] = { 0.3, 0 };
        CHECK(nrx_sym_integrate(&s, NRX_SYM_KAHAN_LI8, ref, 0.01, 200, NULL, NULL) == NRX_OK);
        for (i = 0; i < 2; i++) {
            z[0] = 0.3; z[1] = 0;
            CHECK(nrx_sym_integrate(&s, NRX_SYM_RESPA, z, 0.05 / (1 + i), 40 * (1 + (size_t)i), &d, NULL) == NRX_OK);
            e[i] = fabs(z[0] - ref[0]);
        }
        CHECK_NEAR(log(e[0] / e[1]) / log(2.0), 2.0, 0.15);
        CHECK(nrx_sym_integrate(&s, NRX_SYM_RESPA, z, 0.05, 4, NULL, NULL) == NRX_E_UNSUPPORTED);
    }
    /* Langevin: configurational temperature of the oscillator is exact for BAOAB at any step: <q^2> = T */
    {
        nrx_sym_system o = nrx_sym_oscillator();
        double *out = (double *)malloc(400000 * sizeof *out), q2 = 0;
        memset(&d, 0, sizeof d);
        d.friction = 1.0; d.temperature = 0.7; d.seed = 11; d.every = 1; d.out = out; d.out_rows = 200000;
        z[0] = 0; z[1] = 0;
        CHECK(nrx_sym_integrate(&o, NRX_SYM_BAOAB, z, 0.5, 200000, &d, &info) == NRX_OK && info.out_rows == 200000);
        for (i = 1000; i < 200000; i++) q2 += out[2 * i] * out[2 * i];
        CHECK_NEAR(q2 / 199000, 0.7, 0.012);                         /* 4 standard deviations of the mean */
        a[0] = 0; a[1] = 0;
        d.every = 3; d.out_rows = 0;
        CHECK(nrx_sym_integrate(&o, NRX_SYM_BAOAB, a, 0.5, 200000, &d, NULL) == NRX_OK);
        CHECK(memcmp(a, z, 2 * sizeof *a) == 0);
        free(out);
    }
    /* rigid body: |m| and energy; the order of the composition; Euler angles agree */
    {
        static const double I[3] = { 2.0, 1.0, 2.0 / 3.0 };
        double m0[3] = { 0.8, 0.3, 0.6 }, mref[3], e[2], qn[4];
        memcpy(mref, m0, sizeof m0);
        CHECK(nrx_sym_rigid_body_steps(I, mref, NULL, 0.001, 5000, NRX_SYM_KAHAN_LI8) == NRX_OK);
        for (k = 0; k < 2; k++) {
            for (i = 0; i < 2; i++) {
                double m[3];
                memcpy(m, m0, sizeof m);
                qn[0] = 1; qn[1] = qn[2] = qn[3] = 0;
                CHECK(nrx_sym_rigid_body_steps(I, m, qn, 0.1 / (1 + i), 50 * (1 + (size_t)i), k ? NRX_SYM_SUZUKI4 : 0) == NRX_OK);
                CHECK_NEAR(m[0] * m[0] + m[1] * m[1] + m[2] * m[2], 1.09, 1e-14);
                CHECK_NEAR(qn[0] * qn[0] + qn[1] * qn[1] + qn[2] * qn[2] + qn[3] * qn[3], 1.0, 1e-14);
                e[i] = hypot(m[0] - mref[0], m[1] - mref[1]);
            }
            CHECK_NEAR(log(e[0] / e[1]) / log(2.0), k ? 4.0 : 2.0, 0.15);
        }
        {
            nrx_sym_system rb = nrx_sym_rigid_body(I);
            double x[6] = { 0.2, 1.1, 0.4, 0, 0, 0.6 }, m[3], al, da, E0, E1;
            /* momenta from m0: a = m1 sin psi + m2 cos psi, p_theta = m1 cos psi - m2 sin psi */
            al = m0[0] * sin(x[2]) + m0[1] * cos(x[2]);
            x[4] = m0[0] * cos(x[2]) - m0[1] * sin(x[2]);
            x[3] = al * sin(x[1]) + x[5] * cos(x[1]);
            CHECK(nrx_sym_energy(&rb, 0, x, &E0) == NRX_OK);
            CHECK(nrx_sym_integrate(&rb, NRX_SYM_GAUSS8, x, 0.01, 500, NULL, NULL) == NRX_OK);
            CHECK(nrx_sym_energy(&rb, 0, x, &E1) == NRX_OK);
            CHECK_NEAR(E0, E1, 1e-13);
            nrxi_sym_rigid_momentum(x, x + 3, m, &al, &da);
            CHECK_NEAR(m[0], mref[0], 1e-9); CHECK_NEAR(m[1], mref[1], 1e-9); CHECK_NEAR(m[2], mref[2], 1e-9);
        }
    }
    /* logarithmic Hamiltonian: the exact conic even at e = 0.99; time-transformed Verlet: order 2, no drift */
    {
        nrx_sym_system kep = nrx_sym_kepler();
        nrx_sym_adapt ad = NRX_ZERO;
        double e = 0.99, w[4], E0, drift[2];
        ad.kind = NRX_SYM_LOG_HAMILTONIAN;
        w[0] = 1 - e; w[1] = 0; w[2] = 0; w[3] = sqrt((1 + e) / (1 - e));
        memset(&d, 0, sizeof d);
        d.every = 1;
        CHECK(nrx_sym_integrate_adaptive(&kep, 0, &ad, w, 0.05, 20000, 0, &d, &info) == NRX_OK);
        CHECK(info.max_energy_error < 1e-10);
        CHECK_NEAR(w[0] * w[3] - w[1] * w[2], sqrt(1 - e * e), 1e-11);
        for (k = 0; k < 2; k++) {
            w[0] = 0.1; w[1] = 0; w[2] = 0; w[3] = sqrt(1.9 / 0.1);
            CHECK(nrx_sym_energy(&kep, 0, w, &E0) == NRX_OK);
            CHECK(nrx_sym_integrate_adaptive(&kep, NRX_SYM_VERLET, NULL, w, 0.02 / (1 + k), 20000, 0, &d, &info) == NRX_OK);
            drift[k] = info.max_energy_error;
            CHECK(fabs(info.energy1 - E0) < 2e-2);
        }
        CHECK_NEAR(log(drift[0] / drift[1]) / log(2.0), 2.0, 0.2);
        CHECK(nrx_sym_integrate_adaptive(&kep, NRX_SYM_RUTH3, NULL, w, 0.02, 10, 0, NULL, NULL) == NRX_E_UNSUPPORTED);
    }
    /* the canonical particle agrees with a fine integration of the same motion */
    {
        const double x[3] = { 1, 0, 0 }, v[3] = { 0, 0.5, 0.1 };
        nrx_sym_system c;
        static const double fld[2] = { 0.8, 0.0 };
        double zc[4];
        c = nrx_sym_charged_particle(fld);
        zc[0] = 1; zc[1] = 0; zc[2] = 0 - 0.4 * 0; zc[3] = 0.5 + 0.4 * 1;       /* p = v + A, A = B/2 (-q2, q1) */
        CHECK(nrx_sym_integrate(&c, NRX_SYM_GAUSS8, zc, 0.01, 300, NULL, NULL) == NRX_OK);
        {
            /* exact circle: v rotates with frequency B */
            const double B = 0.8, t = 3.0;
            CHECK_NEAR(zc[0], x[0] + (v[1] / B) * (1 - cos(B * t)), 1e-12);
            CHECK_NEAR(zc[1], (v[1] / B) * sin(B * t), 1e-12);
        }
    }
}

static void uniform_field(void *user, double t, const double *x, double *E, double *B)
{ (void)user; (void)t; (void)x; E[0] = 0; E[1] = 0; E[2] = 0; B[0] = 0; B[1] = 0; B[2] = 0.8; }

static void boris(void)
{
    double x[3] = { 1, 0, 0 }, v[3] = { 0, 0.5, 0.1 };
    CHECK(nrx_sym_boris(uniform_field, NULL, 0, 0.001, 3000, x, v) == NRX_OK);
    CHECK_NEAR(v[0] * v[0] + v[1] * v[1] + v[2] * v[2], 0.26, 1e-14);
    CHECK_NEAR(x[0], 1 + 0.5 / 0.8 * (1 - cos(2.4)), 1e-6);
    CHECK_NEAR(x[1], 0.5 / 0.8 * sin(2.4), 1e-6);
    CHECK_NEAR(x[2], 0.3, 1e-13);
    CHECK(nrx_sym_boris(uniform_field, NULL, 0, 0.0, 3, x, v) == NRX_E_ARG);
}

/* gradients by reversal: dL/dz0 against tangents, dL/dtheta against differences, exact reversal on the lattice */
static nrx_status spring_dq(void *user, double t, const double *q, const double *p, double *g)
{ double *k = (double *)user; (void)t; (void)p; g[0] = k[0] * q[0] + k[1] * q[0] * q[0] * q[0]; return NRX_OK; }
static nrx_status spring_hess(void *user, double t, const double *q, const double *p, const double *v, double *w)
{ double *k = (double *)user; (void)t; (void)p; w[0] = (k[0] + 3 * k[1] * q[0] * q[0]) * v[0]; w[1] = v[1]; return NRX_OK; }
static nrx_status spring_param(void *user, double t, const double *z, const double *u, double *dtheta)
{ (void)user; (void)t; dtheta[0] += u[0] * z[0]; dtheta[1] += u[0] * z[0] * z[0] * z[0]; return NRX_OK; }

static void gradients(void)
{
    static const int methods[4] = { NRX_SYM_VERLET, NRX_SYM_EULER_A, NRX_SYM_SRKN6B, NRX_SYM_KAHAN_LI8 };
    double k[2] = { 1.3, 0.4 }, z[2], l[2], dk[2], x[2], e = 1e-6;
    nrx_sym_system s = NRX_ZERO;
    int m, i;
    s.d = 1; s.structure = NRX_SYM_NEWTON; s.dq = spring_dq; s.hess = spring_hess; s.user = k;
    for (m = 0; m < 4; m++) {
        z[0] = 0.7; z[1] = 0.2;
        CHECK(nrx_sym_integrate(&s, methods[m], z, 0.05, 100, NULL, NULL) == NRX_OK);
        l[0] = 2 * z[0]; l[1] = 1;                                   /* L = q^2 + p */
        dk[0] = dk[1] = 0;
        CHECK(nrx_sym_gradient(&s, methods[m], z, 0.05, 100, l, spring_param, dk, NULL) == NRX_OK);
        CHECK_NEAR(z[0], 0.7, 1e-13); CHECK_NEAR(z[1], 0.2, 1e-13);
        for (i = 0; i < 4; i++) {
            double L[2];
            int side;
            for (side = 0; side < 2; side++) {
                const double by = side ? -e : e, keep = i < 2 ? 0 : k[i - 2];
                x[0] = 0.7 + (i == 0 ? by : 0); x[1] = 0.2 + (i == 1 ? by : 0);
                if (i >= 2) k[i - 2] += by;
                CHECK(nrx_sym_integrate(&s, methods[m], x, 0.05, 100, NULL, NULL) == NRX_OK);
                if (i >= 2) k[i - 2] = keep;
                L[side] = x[0] * x[0] + x[1];
            }
            CHECK_NEAR(i < 2 ? l[i] : dk[i - 2], (L[0] - L[1]) / (2 * e), 1e-8);
        }
    }
    {   /* bit for bit back on the lattice, through 10^4 chaotic steps; and by stepping with -h */
        nrx_sym_system hh = nrx_sym_henon_heiles();
        nrx_sym_desc d = NRX_ZERO;
        double a[4] = { 0.125, 0.25, 0.375, 0.25 }, b[4], lam[4] = { 1, 0, 0, 0 };
        d.roundoff = NRX_SYM_LATTICE;
        memcpy(b, a, sizeof a);
        CHECK(nrx_sym_integrate(&hh, NRX_SYM_FOREST_RUTH, b, 0.1, 10000, &d, NULL) == NRX_OK);
        CHECK(memcmp(a, b, sizeof a) != 0);
        memcpy(lam, b, sizeof b);
        CHECK(nrx_sym_gradient(&hh, NRX_SYM_FOREST_RUTH, lam, 0.1, 10000, b, NULL, NULL, &d) == NRX_OK);
        CHECK(memcmp(a, lam, sizeof a) == 0);
        memcpy(b, a, sizeof a);
        CHECK(nrx_sym_integrate(&hh, NRX_SYM_VERLET_KDK, b, 0.1, 10000, &d, NULL) == NRX_OK);
        CHECK(nrx_sym_integrate(&hh, NRX_SYM_VERLET_KDK, b, -0.1, 10000, &d, NULL) == NRX_OK);
        CHECK(memcmp(a, b, sizeof a) == 0);
        b[0] = 100.0;
        CHECK(nrx_sym_integrate(&hh, NRX_SYM_VERLET, b, 0.1, 1, &d, NULL) == NRX_E_RANGE);
    }
}

static void chaos_and_batches(void)
{
    nrx_sym_system hh = nrx_sym_henon_heiles();
    double z[4] = { 0, 0.1, sqrt(2 * (1.0 / 12) - 0.01 + 2e-3 / 3 - 0.01), 0.1 }, c[4] = { 0.0, -0.25, 0.42, 0.0 }, Y, ly;
    double lanes[4 * 21], one[4];
    size_t l, j;
    int m;
    static const int methods[3] = { NRX_SYM_VERLET, NRX_SYM_SRKN6B, NRX_SYM_KAHAN_LI8 };
    CHECK(nrx_sym_megno(&hh, NRX_SYM_PEFRL, z, 0.1, 20000, 3, &Y, &ly, NULL) == NRX_OK);
    CHECK_NEAR(Y, 2.0, 0.15);                                         /* regular */
    CHECK(nrx_sym_energy(&hh, 0, c, &ly) == NRX_OK);
    c[2] = sqrt(2 * (0.166 - (0.5 * 0.0625 + 0.015625 / 3)));
    CHECK(nrx_sym_megno(&hh, NRX_SYM_PEFRL, c, 0.1, 20000, 3, &Y, &ly, NULL) == NRX_OK);
    CHECK(Y > 10.0 && ly > 0.02);                                     /* chaotic */
    for (m = 0; m < 3; m++) {
        for (j = 0; j < 4; j++) for (l = 0; l < 21; l++) lanes[j * 21 + l] = (j == 3 ? 0.3 : 0.05) + 0.004 * (double)l * (double)(j + 1);
        CHECK(nrx_sym_integrate_batch(&hh, methods[m], lanes, 21, 0.01, 500, NULL) == NRX_OK);
        for (l = 0; l < 21; l++) {
            for (j = 0; j < 4; j++) one[j] = (j == 3 ? 0.3 : 0.05) + 0.004 * (double)l * (double)(j + 1);
            CHECK(nrx_sym_integrate(&hh, methods[m], one, 0.01, 500, NULL, NULL) == NRX_OK);
            for (j = 0; j < 4; j++) CHECK_NEAR(lanes[j * 21 + l], one[j], 3e-14);
        }
    }
    {   /* a lane that escapes spoils only itself; a system without hook gives the same */
        nrx_sym_system plain = hh;
        double a[16], b[16];
        plain.hook = NULL;
        for (j = 0; j < 4; j++) for (l = 0; l < 4; l++) a[j * 4 + l] = b[j * 4 + l] = l == 2 ? 5.0 : 0.1 + 0.02 * (double)j;
        CHECK(nrx_sym_integrate_batch(&hh, NRX_SYM_VERLET, a, 4, 0.05, 2000, NULL) == NRX_E_NUMERIC);
        CHECK(nrx_sym_integrate_batch(&plain, NRX_SYM_VERLET, b, 4, 0.05, 2000, NULL) == NRX_E_NUMERIC);
        for (j = 0; j < 4; j++) for (l = 0; l < 4; l++) if (l != 2) CHECK_NEAR(a[j * 4 + l], b[j * 4 + l], 1e-12);
        CHECK(nrxi_finite_f64(&b[2]));
    }
}

static int lines;
static void count_line(void *user, nrx_status status, const char *line) { (void)user; (void)status; (void)line; lines++; }
static int cancel(void *user, size_t done, size_t total, double value) { (void)user; (void)total; (void)value; return done > 1000; }

static void bad_input(void)
{
    nrx_sym_system hh = nrx_sym_henon_heiles(), kep = nrx_sym_kepler(), dp = nrx_sym_double_pendulum(), t = NRX_ZERO, none = NRX_ZERO;
    nrx_sym_desc d = NRX_ZERO;
    nrx_sym_info info;
    nrx_sym_map map = NRX_ZERO;
    nrx_sym_report r;
    double z[4] = { 0.1, 0, 0, 0.5 }, nan = sqrt(-1.0 - z[1]), keep[4], work[400];
    d.env.log = count_line;
    memcpy(keep, z, sizeof z);
    CHECK_ALWAYS(nrx_sym_integrate(&hh, NRX_SYM_VERLET, z, 0.0, 10, &d, &info) == NRX_E_ARG);
    CHECK_ALWAYS(nrx_sym_integrate(&hh, NRX_SYM_VERLET, z, nan, 10, &d, &info) == NRX_E_ARG);
    CHECK_ALWAYS(nrx_sym_integrate(&hh, NRX_SYM_VERLET, NULL, 0.1, 10, &d, &info) == NRX_E_ARG);
    CHECK_ALWAYS(nrx_sym_integrate(NULL, NRX_SYM_VERLET, z, 0.1, 10, &d, &info) == NRX_E_ARG);
    CHECK_ALWAYS(nrx_sym_integrate(&none, NRX_SYM_VERLET, z, 0.1, 10, &d, &info) == NRX_E_ARG);
    CHECK_ALWAYS(nrx_sym_integrate(&hh, 999, z, 0.1, 10, &d, &info) == NRX_E_ARG);
    CHECK_ALWAYS(nrx_sym_integrate(&dp, NRX_SYM_VERLET, z, 0.1, 10, &d, &info) == NRX_E_UNSUPPORTED);
    CHECK_ALWAYS(nrx_sym_integrate(&hh, NRX_SYM_WISDOM_HOLMAN, z, 0.1, 10, &d, &info) == NRX_E_UNSUPPORTED);
    CHECK_ALWAYS(memcmp(z, keep, sizeof z) == 0);
    CHECK_ALWAYS(lines == 8);
    z[1] = nan;
    CHECK_ALWAYS(nrx_sym_integrate(&hh, NRX_SYM_VERLET, z, 0.1, 10, &d, &info) == NRX_E_ARG);
    /* a singularity: the force at q = 0 is not finite; the state stays */
    z[0] = z[1] = z[2] = z[3] = 0;
    CHECK(nrx_sym_integrate(&kep, NRX_SYM_VERLET, z, 0.1, 10, &d, &info) == NRX_E_NUMERIC);
    CHECK(info.steps == 0 && z[0] == 0 && z[2] == 0);
    /* on the way: good until t = 1 */
    t.d = 1; t.structure = NRX_SYM_NEWTON; t.dq = broken_dq;
    z[0] = 1; z[1] = 0;
    CHECK(nrx_sym_integrate(&t, NRX_SYM_VERLET_KDK, z, 0.01, 1000, &d, &info) == NRX_E_NUMERIC);
    CHECK(info.steps >= 99 && info.steps <= 100);
    CHECK_NEAR(info.t, 0.01 * (double)info.steps, 1e-14);
    CHECK_NEAR(z[0], cos(info.t), 1e-4);
    /* implicit solve that cannot converge at a huge step: status, last good state */
    z[0] = 1; z[1] = 0.5; z[2] = 3; z[3] = -4;
    memcpy(keep, z, sizeof z);
    d.solver = NRX_SYM_SOLVE_FIXED_POINT;
    CHECK(nrx_sym_integrate(&dp, NRX_SYM_GAUSS4, z, 50.0, 3, &d, &info) == NRX_E_NUMERIC);
    CHECK(info.steps == 0 && memcmp(z, keep, sizeof z) == 0);
    d.solver = 0;
    d.max_iterations = 2;
    CHECK(nrx_sym_integrate(&dp, NRX_SYM_GAUSS4, z, 0.5, 3, &d, &info) == NRX_E_NUMERIC);
    CHECK(info.steps == 0 && memcmp(z, keep, sizeof z) == 0);
    d.solver = NRX_SYM_SOLVE_NEWTON;                                  /* Newton cut off, and Newton at a hopeless step */
    CHECK(nrx_sym_integrate(&dp, NRX_SYM_GAUSS8, z, 0.5, 3, &d, &info) == NRX_E_NUMERIC);
    CHECK(info.steps == 0 && info.t == 0.0 && memcmp(z, keep, sizeof z) == 0);
    d.max_iterations = 0;
    CHECK(nrx_sym_integrate(&dp, NRX_SYM_GAUSS4, z, 1e6, 3, &d, &info) == NRX_E_NUMERIC);
    CHECK(info.steps == 0 && memcmp(z, keep, sizeof z) == 0);
    d.solver = 0;
    CHECK(nrx_sym_integrate(&dp, NRX_SYM_SEMI_EXPLICIT, z, 1e3, 3, &d, &info) == NRX_E_NUMERIC);
    CHECK(info.steps == 0 && memcmp(z, keep, sizeof z) == 0);
    {   /* a constraint that no q can satisfy, and one whose derivative vanishes */
        nrx_sym_system bead = NRX_ZERO;
        nrx_sym_desc cd = NRX_ZERO;
        int which;
        bead.d = 2; bead.structure = NRX_SYM_NEWTON; bead.dq = gravity_dq;
        cd.constraints.m = 1; cd.constraints.g = rod; cd.constraints.jac = rod_jac; cd.env.log = count_line;
        for (which = 0; which < 2; which++) {
            z[0] = 0; z[1] = which ? 0 : -1; z[2] = which ? 0 : 50; z[3] = 0;      /* 50: one step leaves the circle for good */
            memcpy(keep, z, sizeof z);
            CHECK(nrx_sym_integrate(&bead, NRX_SYM_RATTLE, z, 0.5, 3, &cd, &info) == NRX_E_NUMERIC);
            CHECK(info.steps == 0 && memcmp(z, keep, sizeof z) == 0);
        }
    }
    {   /* two bodies in one place, a planet in its star */
        static const double mass[3] = { 1, 1e-3, 1e-3 };
        nrx_sym_nbody b;
        nrx_sym_system three;
        double x[12] = { 0, 0, 1, 0, 1, 0, 0, 0, 0, 1e-3, 0, 1e-3 }, x0[12];
        memset(&b, 0, sizeof b);
        b.bodies = 3; b.dim = 2; b.mass = mass;
        CHECK(nrx_sym_nbody_system(&b, &three) == NRX_OK);
        memcpy(x0, x, sizeof x);
        CHECK(nrx_sym_integrate(&three, NRX_SYM_VERLET_KDK, x, 0.01, 3, &d, &info) == NRX_E_NUMERIC);
        CHECK(info.steps == 0 && memcmp(x, x0, sizeof x) == 0);
        x[2] = x0[2] = 0;
        CHECK(nrx_sym_integrate(&three, NRX_SYM_WISDOM_HOLMAN, x, 0.01, 3, &d, &info) == NRX_E_NUMERIC);
        CHECK(info.steps == 0 && memcmp(x, x0, sizeof x) == 0);
    }
    /* cancelled, workspace too small, odd dimension */
    d.env.progress = cancel;
    z[0] = 0.1; z[1] = 0; z[2] = 0; z[3] = 0.5;
    CHECK_ALWAYS(nrx_sym_integrate(&hh, NRX_SYM_VERLET, z, 0.01, 100000, &d, &info) == NRX_E_CANCELLED);
    CHECK_ALWAYS(info.steps > 1000 && info.steps < 3000);
    d.env.progress = NULL;
    d.work = work; d.work_size = 3;
    CHECK_ALWAYS(nrx_sym_integrate(&hh, NRX_SYM_VERLET, z, 0.01, 100, &d, &info) == NRX_E_SHAPE);
    d.work_size = nrx_sym_workspace_size(&hh, NRX_SYM_VERLET, NULL);
    CHECK_ALWAYS(d.work_size > 0 && d.work_size < 400);
    CHECK_ALWAYS(nrx_sym_integrate(&hh, NRX_SYM_VERLET, z, 0.01, 100, &d, &info) == NRX_OK);
    map.n = 3; map.apply = nrxi_sym_method_apply;
    CHECK_ALWAYS(nrx_sym_check(&map, z, NULL, &r) == NRX_E_SHAPE);
    {
        double rr[3] = { 0, 0, 0 }, v[3] = { 1, 0, 0 }, r2[2] = { 1, 0 }, v2[2] = { 0, 1.7 };
        CHECK(nrx_sym_kepler_arc(1.0, 0.1, 3, rr, v) == NRX_E_NUMERIC && v[0] == 1);
        CHECK(nrx_sym_kepler_arc(1.0, 40.0, 2, r2, v2) == NRX_OK);      /* hyperbola: v^2 > 2 */
        CHECK_NEAR(0.5 * (v2[0] * v2[0] + v2[1] * v2[1]) - 1 / hypot(r2[0], r2[1]), 0.5 * 1.7 * 1.7 - 1, 1e-14);
        CHECK(nrx_sym_kepler_arc(1.0, -40.0, 2, r2, v2) == NRX_OK);
        /* by conditioning: out there r = 37 and t = 40 are rounded to 4e-15 */
        CHECK_NEAR(r2[0], 1.0, 1e-13); CHECK_NEAR(r2[1], 0.0, 1e-13); CHECK_NEAR(v2[0], 0.0, 1e-13); CHECK_NEAR(v2[1], 1.7, 1e-13);
    }
    {
        double m[2] = { 1, -1 };
        nrx_sym_nbody b;
        memset(&b, 0, sizeof b);
        b.bodies = 2; b.mass = m;
        CHECK_ALWAYS(nrx_sym_nbody_system(&b, &t) == NRX_E_ARG);
        b.bodies = 1;
        CHECK_ALWAYS(nrx_sym_nbody_system(&b, &t) == NRX_E_ARG);
    }
    CHECK_ALWAYS(nrx_sym_method_find("kahan_li8") == NRX_SYM_KAHAN_LI8 && nrx_sym_method_find("nothing") == -1);
}

/* Hessians of the ready systems against differences of their gradients, gradients against differences of the energy */
static void derivatives(void)
{
    static const double damping = 0.4, field[2] = { 0.8, 1.1 }, inertia[3] = { 2, 1, 0.7 };
    nrx_sym_fput_chain chain = { 5, 0.25, 0.1 };
    nrx_sym_nbody b;
    nrx_sym_system s[12];
    double dummy[12];
    int k;
    size_t i, j;
    nrx_test_rng rng = { 77 };
    s[0] = nrx_sym_oscillator(); s[1] = nrx_sym_pendulum(); s[2] = nrx_sym_henon_heiles(); s[3] = nrx_sym_kepler(); s[4] = nrx_sym_double_pendulum();
    s[5] = nrx_sym_tao(); s[6] = nrx_sym_relativistic_pendulum(); s[7] = nrx_sym_damped_oscillator(&damping); s[8] = nrx_sym_charged_particle(field);
    s[9] = nrx_sym_rigid_body(inertia);
    CHECK(nrx_sym_fput(&chain, &s[10]) == NRX_OK);
    CHECK(nrx_sym_figure_eight(&b, &s[11], dummy) == NRX_OK);
    for (k = 0; k < 12; k++) {
        const size_t d = s[k].d, n = 2 * d;
        double x[12], g[12], w[12], v[12], y[12], e0, e1, ga[12], gb[12];
        for (i = 0; i < n; i++) { x[i] = 0.4 + 0.5 * nrx_test_uniform(&rng) + 0.3 * (double)i; v[i] = nrx_test_signed(&rng); }
        CHECK(nrxi_sym_call_dp(&s[k], 0, x, x + d, g + d) == NRX_OK && s[k].dq(s[k].user, 0, x, x + d, g) == NRX_OK);
        for (i = 0; i < n; i++) {
            memcpy(y, x, sizeof y);
            y[i] = x[i] + 1e-5; CHECK(nrx_sym_energy(&s[k], 0, y, &e1) == NRX_OK);
            y[i] = x[i] - 1e-5; CHECK(nrx_sym_energy(&s[k], 0, y, &e0) == NRX_OK);
            CHECK_NEAR(g[i], (e1 - e0) / 2e-5, 2e-8);
        }
        CHECK(s[k].hess && s[k].hess(s[k].user, 0, x, x + d, v, w) == NRX_OK);
        for (j = 0; j < n; j++) y[j] = x[j] + 1e-5 * v[j];
        CHECK(nrxi_sym_call_dp(&s[k], 0, y, y + d, ga + d) == NRX_OK && s[k].dq(s[k].user, 0, y, y + d, ga) == NRX_OK);
        for (j = 0; j < n; j++) y[j] = x[j] - 1e-5 * v[j];
        CHECK(nrxi_sym_call_dp(&s[k], 0, y, y + d, gb + d) == NRX_OK && s[k].dq(s[k].user, 0, y, y + d, gb) == NRX_OK);
        for (i = 0; i < n; i++) CHECK_NEAR(w[i], (ga[i] - gb[i]) / 2e-5, 2e-8);
    }
}

/* a force of products alone: nothing in it can be contracted, so what is compared is the header's loop around it */
static inline nrx_status cubic_dq(void *user, double t, const double *q, const double *p, double *g)
{ (void)user; (void)t; (void)p; g[0] = q[0] * q[0] * q[0]; return NRX_OK; }
NRX_SYM_HOOK(cubic_hook, 1, cubic_dq)

#if defined(NRX_TEST_ALLOC)
static nrx_status whole(nrx_env *env)
{
    nrx_sym_system hh = nrx_sym_henon_heiles(), dp = nrx_sym_double_pendulum();
    nrx_sym_desc d = NRX_ZERO;
    nrx_sym_adapt ad = NRX_ZERO;
    double z[4] = { 0.1, 0.2, 0.1, 0.3 }, l[4] = { 1, 0, 0, 0 }, rows[10], Y, lanes[8] = { 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.2, 0.2 };
    size_t found;
    nrx_status s;
    d.env = *env;
    s = nrx_sym_integrate(&dp, NRX_SYM_GAUSS4, z, 0.1, 2, &d, NULL);
    if (s == NRX_OK) s = nrx_sym_poincare(&hh, NRX_SYM_VERLET, z, 0.1, 50, 0, 0, 0, rows, 2, &found, &d);
    if (s == NRX_OK) s = nrx_sym_gradient(&hh, NRX_SYM_VERLET, z, 0.1, 5, l, NULL, NULL, &d);
    if (s == NRX_OK) s = nrx_sym_megno(&hh, NRX_SYM_VERLET, z, 0.1, 5, 1, &Y, NULL, &d);
    if (s == NRX_OK) s = nrx_sym_integrate_adaptive(&hh, NRX_SYM_VERLET, &ad, z, 0.1, 3, 0, &d, NULL);
    if (s == NRX_OK) s = nrx_sym_integrate_batch(&hh, NRX_SYM_VERLET, lanes, 2, 0.1, 3, &d);
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
#elif defined(NRX_TEST_THREADS) || defined(NRX_TEST_REPRODUCIBLE)
    static double lanes[4 * 1000];
    double z[4] = { 0.1, 0, 0, 0.5 };
    nrx_sym_system hh = nrx_sym_henon_heiles(), kep = nrx_sym_kepler(), own = NRX_ZERO;
    nrx_sym_desc comp = NRX_ZERO;
    size_t i;
    for (i = 0; i < 4000; i++) lanes[i] = (double)(5000 + i) / 50000.0;      /* one rounding, whatever the compiler's flags */
#if defined(NRX_TEST_THREADS)
    {
        nrx_sym_desc d = NRX_ZERO;
        static int workers;
        NRX_TEST_POOL_ENV(d.env, workers);
        CHECK(nrx_sym_integrate_batch(&hh, NRX_SYM_SRKN6B, lanes, 1000, 0.05, 50, &d) == NRX_OK);
    }
#else
    CHECK(nrx_sym_integrate_batch(&hh, NRX_SYM_SRKN6B, lanes, 1000, 0.05, 50, NULL) == NRX_OK);
#endif
    nrx_test_checksum("batch", lanes, sizeof lanes);
    CHECK(nrx_sym_integrate(&hh, NRX_SYM_KAHAN_LI8, z, 0.1, 1000, NULL, NULL) == NRX_OK);
    nrx_test_checksum("henon_heiles", z, sizeof z);
    z[0] = 0.4; z[1] = 0; z[2] = 0; z[3] = 2;
    CHECK(nrx_sym_integrate(&kep, NRX_SYM_SOFRONIOU_SPALETTA10, z, 0.1, 1000, NULL, NULL) == NRX_OK);
    nrx_test_checksum("kepler", z, sizeof z);
    own.d = 1; own.structure = NRX_SYM_NEWTON; own.dq = cubic_dq; own.hook = cubic_hook;    /* a hook made in the user's file */
    comp.roundoff = NRX_SYM_COMPENSATED;
    for (i = 0; i < 2000; i++) lanes[i] = (double)(5000 + i) / 50000.0;
    CHECK(nrx_sym_integrate_batch(&own, NRX_SYM_PEFRL, lanes, 1000, 0.1, 50, NULL) == NRX_OK);
    nrx_test_checksum("own_batch", lanes, 2000 * sizeof *lanes);
    z[0] = 1; z[1] = 0.25;
    CHECK(nrx_sym_integrate(&own, NRX_SYM_KAHAN_LI6, z, 0.1, 1000, NULL, NULL) == NRX_OK);
    CHECK(nrx_sym_integrate(&own, NRX_SYM_KAHAN_LI6, z, 0.1, 1000, &comp, NULL) == NRX_OK);
    nrx_test_checksum("own", z, 2 * sizeof *z);
    return nrx_test_end();
#endif
    self_check();
    invariants();
    events();
    other_methods();
    boris();
    gradients();
    chaos_and_batches();
    bad_input();
    derivatives();
    return nrx_test_end();
}
