/* Observed orders, coefficients, reference orbits, symplecticity and reversibility of the classical integrators.
   SPDX-License-Identifier: MIT-0 OR Unlicense */
#include "../nrx_test.h"
#define NRX_SYMPLECTIC_IMPLEMENTATION
#include "nrx_symplectic.h"

/* Kepler from pericentre, exact by Newton on Kepler's equation in long double */
static void kepler_exact(long double e, double t, double *z)
{
    long double E = t, s, c, k = sqrtl(1.0L - e * e);
    int i;
    for (i = 0; i < 100; i++) E -= (E - e * sinl(E) - t) / (1.0L - e * cosl(E));
    s = sinl(E); c = cosl(E);
    z[0] = (double)(c - e); z[1] = (double)(k * s);
    z[2] = (double)(-s / (1.0L - e * c)); z[3] = (double)(k * c / (1.0L - e * c));
}

static double error_of(const nrx_sym_system *sys, int method, const nrx_sym_desc *desc, const double *z0, const double *exact, double T,
                       size_t steps, int only_q)
{
    double z[64], e = 0.0;
    size_t j, n = 2 * sys->d;
    nrx_status st;
    memcpy(z, z0, n * sizeof *z);
    st = nrx_sym_integrate(sys, method, z, T / (double)steps, steps, desc, NULL);
    CHECK(st == NRX_OK);
    if (only_q) {
        for (j = 0; j < sys->d; j++) e += (z[j] - exact[j]) * (z[j] - exact[j]);
        return sqrt(e);
    }
    for (j = 0; j < n; j++) if (fabs(z[j] - exact[j]) > e) e = fabs(z[j] - exact[j]);
    return e;
}

static void order_is(const char *name, double got, double want)
{
    char text[200];
    int ok = fabs(got - want) <= 0.15;
    if (!ok) snprintf(text, sizeof text, "%s: observed order %.3f, expected %.2f", name, got, want);
    nrx_test_report(ok, __FILE__, __LINE__, ok ? name : text);
}

/* the reference's table on Kepler, t = 20: errors for N, 2N, 4N to 1 % */
static void reference_table(void)
{
    static const struct { int method; size_t N; double e[3]; } row[] = {
        { NRX_SYM_VERLET, 4000, { 1.3508e-3, 3.3773e-4, 8.4435e-5 } },
        { NRX_SYM_FOREST_RUTH, 1600, { 3.5055e-5, 2.1975e-6, 1.3745e-7 } },
        { NRX_SYM_SUZUKI4, 800, { 1.2312e-5, 7.6792e-7, 4.7971e-8 } },
        { NRX_SYM_PEFRL, 800, { 4.9123e-5, 3.0655e-6, 1.9152e-7 } },
        { NRX_SYM_BLANES_MOAN4, 800, { 1.7718e-6, 1.1004e-7, 6.8667e-9 } },
        { NRX_SYM_SRKN6B, 800, { 1.2999e-7, 9.558e-9, 6.199e-10 } },
        { NRX_SYM_YOSHIDA6, 400, { 2.2254e-5, 3.6031e-7, 5.6806e-9 } },
        { NRX_SYM_KAHAN_LI6, 400, { 6.4324e-7, 1.0310e-8, 1.62e-10 } },
        { NRX_SYM_MCLACHLAN_SS9, 400, { 2.1125e-6, 3.3722e-8, 5.3016e-10 } },
        { NRX_SYM_BLANES_MOAN6, 400, { 8.3676e-7, 1.3062e-8, 2.043e-10 } },
        { NRX_SYM_SRKN11B, 400, { 2.5409e-8, 4.055e-10, 6.5e-12 } },
        { NRX_SYM_YOSHIDA8, 200, { 1.3935e-6, 4.61e-9, 1.75e-11 } },
        { NRX_SYM_KAHAN_LI8, 200, { 5.853e-8, 1.99e-10, 6e-13 } },
        { NRX_SYM_SOFRONIOU_SPALETTA10, 100, { 5.53e-7, 6.0e-10, 1e-12 } },
        { NRX_SYM_MIDPOINT, 2000, { 2.53e-2, 6.35e-3, 1.59e-3 } },
        { NRX_SYM_GAUSS4, 400, { 3.8711e-4, 2.4572e-5, 1.5415e-6 } },
        { NRX_SYM_GAUSS6, 400, { 1.1761e-6, 1.8253e-8, 2.8476e-10 } },
        { NRX_SYM_GAUSS8, 400, { 7.589e-10, 3.1e-12, 6e-15 } } };
    static const double z0[4] = { 0.4, 0.0, 0.0, 2.0 };
    nrx_sym_system k = nrx_sym_kepler();
    nrx_sym_desc desc = NRX_ZERO;
    double exact[4];
    size_t i;
    int r;
    kepler_exact(0.6L, 20.0, exact);
    desc.roundoff = NRX_SYM_COMPENSATED;
    for (i = 0; i < sizeof row / sizeof *row; i++)
        for (r = 0; r < 3; r++) {
            double e = error_of(&k, row[i].method, &desc, z0, exact, 20.0, row[i].N << r, 1);
            CHECK_NEAR(e, row[i].e[r], 0.012 * row[i].e[r] + 6e-13 + (row[i].e[r] < 1e-9 ? 0.06 * row[i].e[r] : 0.0));
        }
}

/* RMS error over 20 times in (0, T], N steps (a multiple of 20), against `ref` */
enum { TIMES = 20 };
static double rms_error(const nrx_sym_system *sys, int method, int roundoff, const double *z0, const double *ref, double T, size_t N)
{
    nrx_sym_desc desc = NRX_ZERO;
    double out[4 * TIMES], z[4], e = 0.0;
    size_t i;
    memcpy(z, z0, 2 * sys->d * sizeof *z);
    desc.roundoff = roundoff;
    desc.every = N / TIMES; desc.out = out; desc.out_rows = TIMES;
    CHECK(nrx_sym_integrate(sys, method, z, T / (double)N, N, &desc, NULL) == NRX_OK);
    for (i = 0; i < 2 * sys->d * TIMES; i++) e += (out[i] - ref[i]) * (out[i] - ref[i]);
    return sqrt(e / TIMES);
}

/* a quadratic T for every method, a general T for those that can; errors between 1e-12 and about 1e-6 for high orders */
static void observed_orders(void)
{
    static const double start[2][4] = { { 2.0, 0.0, 0, 0 }, { 0.8, 0.0, 0.0, 1.2247448713915890491 } }, *z0 = start[0], pend10[2] = { 0.71314818060137936921, -1.5313085041358346923 };
    nrx_sym_system p = nrx_sym_pendulum(), g = nrx_sym_relativistic_pendulum(), ho = nrx_sym_oscillator(), kep = nrx_sym_kepler();
    nrx_sym_desc desc = NRX_ZERO;
    double ref[4][4 * TIMES], z[2];
    int m, which, i;
    desc.roundoff = NRX_SYM_COMPENSATED; desc.every = 200; desc.out_rows = TIMES;
    for (which = 0; which < 2; which++) {       /* oracle: Gauss 8, checked against 20 digits */
        memcpy(z, start[0], sizeof z);
        desc.out = ref[which];
        CHECK(nrx_sym_integrate(which ? &g : &p, NRX_SYM_GAUSS8, z, 10.0 / 4000, 4000, &desc, NULL) == NRX_OK);
    }
    for (i = 0; i < TIMES; i++) kepler_exact(0.2L, i + 1.0, ref[3] + 4 * i);      /* high orders: a harder problem */
    CHECK_NEAR(ref[0][2 * TIMES - 2], pend10[0], 2e-15);
    CHECK_NEAR(ref[0][2 * TIMES - 1], pend10[1], 2e-15);
    for (i = 0; i < TIMES; i++) { ref[2][2 * i] = 2.0 * cos(0.5 * (i + 1)); ref[2][2 * i + 1] = -2.0 * sin(0.5 * (i + 1)); }
    for (m = 0; m < NRX_SYM_METHOD_COUNT; m++) {
        if (m > NRX_SYM_LOBATTO6 && m != NRX_SYM_SEMI_EXPLICIT && m != NRX_SYM_RK4 && m != NRX_SYM_EXPLICIT_EULER) continue;
        for (which = 0; which < 2; which++) {
            const int oscillator = !which && (m == NRX_SYM_EULER_A || m == NRX_SYM_EULER_B);
            const int top_order = nrx_sym_method_order(&p, m, 0), high = !which && top_order >= 6;
            const nrx_sym_system *s = which ? &g : oscillator ? &ho : high ? &kep : &p;
            const int order = nrx_sym_method_order(s, m, 0), halvings = order <= 4 ? 5 : order <= 6 ? 3 : 2;
            const int mode = m == NRX_SYM_SEMI_EXPLICIT ? NRX_SYM_PLAIN : NRX_SYM_COMPENSATED;
            const double T = high ? 20.0 : 10.0, *r = ref[oscillator ? 2 : high ? 2 + high : which];
            const double top = order <= 4 ? 2e-6 : order <= 6 ? 4e-7 : 1.6e-8;
            double e[8];
            size_t N = order == 1 ? 2000 : order == 2 ? 1000 : 40; 
            if (order == 10) continue;                             /* order_ten */
            if (which && order == 8) continue;                     /* too good here to be measured in double */
            z0 = start[high];
            int k, seen = 0;
            if (order == 0) {
                z[0] = 0.75; z[1] = 1.5;
                CHECK(nrx_sym_integrate(s, m, z, 0.1, 1, NULL, NULL) == NRX_E_UNSUPPORTED && z[0] == 0.75 && z[1] == 1.5);
                continue;
            }
            if (m == NRX_SYM_EXPLICIT_EULER) N = 100000;
            if (m == NRX_SYM_RK4) N = 400;

            if (order >= 3) while (rms_error(s, m, mode, z0, r, T, N) > top) N += TIMES;
            for (k = 0; k <= halvings; k++) {
                e[k] = rms_error(s, m, mode, z0, r, T, N << k);
                if (k == 0 || e[k] < (order >= 8 ? 5e-14 : 4e-13)) continue;
                order_is(nrx_sym_method_name(m), log(e[k - 1] / e[k]) / log(2.0), order);
                seen++;
            }
            if (seen < 2 || getenv("VERBOSE")) {
                printf("%s, T %s: order %d, N %d, observed", nrx_sym_method_name(m), which ? "general" : "quadratic", order, (int)N);
                for (k = 1; k <= halvings; k++) printf(" %.3f", log(e[k - 1] / e[k]) / log(2.0));
                printf(", errors %.1e to %.1e\n", e[0], e[halvings]);
            }
            CHECK(seen >= 2);                       /* the halvings were really looked at */
        }
    }
}

/* Order 10: two halvings are a factor of 2^20 in the error, all that there is between 1e-6 and 1e-12. There the step must already be
   asymptotic, so the orbits are long (the error grows like T, and the step that gives 1e-6 shrinks) and far from singularities:
   regular orbits of Henon-Heiles at E = 1/24. Steps are powers of two: coefficient times step rounds nothing, an error that would grow
   like T as well. One orbit's error may change its sign on the way, so 16 orbits of the energy surface are taken together. */
enum { ORBITS = 16 };
static void order_ten(void)
{
    static double ref[ORBITS][4 * TIMES];
    const double T = 1400.0, E = 1.0 / 24.0;      /* h = 1, 1/2, 1/4 */
    nrx_sym_system hh = nrx_sym_henon_heiles();
    double start[ORBITS][4], e[3];
    size_t i, j;
    int k;
    for (i = 0; i < ORBITS; i++) {
        const double angle = 2.0 * NRX_PI * (double)i / ORBITS;
        const double u[4] = { 0.6 * cos(angle), 0.6 * sin(angle), -0.8 * sin(3.0 * angle), 0.8 * cos(3.0 * angle) };
        double lo = 0.0, hi = 1.0, z[4], H;
        nrx_sym_desc d = NRX_ZERO;
        for (k = 0; k < 60; k++) {              /* along u until the energy is E */
            for (j = 0; j < 4; j++) start[i][j] = z[j] = 0.5 * (lo + hi) * u[j];
            CHECK(nrx_sym_energy(&hh, 0, z, &H) == NRX_OK);
            if (H > E) hi = 0.5 * (lo + hi); else lo = 0.5 * (lo + hi);
        }
        d.roundoff = NRX_SYM_COMPENSATED; d.out = ref[i]; d.out_rows = TIMES; d.every = 28000 / TIMES;
        CHECK(nrx_sym_integrate(&hh, NRX_SYM_GAUSS8, z, 0.05, 28000, &d, NULL) == NRX_OK);
    }
    for (k = 0; k < 3; k++) {
        for (e[k] = 0.0, i = 0; i < ORBITS; i++)
            e[k] += pow(rms_error(&hh, NRX_SYM_SOFRONIOU_SPALETTA10, NRX_SYM_COMPENSATED, start[i], ref[i], T, (size_t)1400 << k), 2.0) / ORBITS;
        e[k] = sqrt(e[k]);
    }
    if (getenv("VERBOSE")) printf("order 10: observed %.3f %.3f, errors %.2e to %.2e\n", log(e[0] / e[1]) / log(2.0), log(e[1] / e[2]) / log(2.0), e[0], e[2]);
    CHECK(e[0] <= 1e-6 && e[2] >= 5e-13);
    order_is("order 10, first halving", log(e[0] / e[1]) / log(2.0), 10.0);
    order_is("order 10, second halving", log(e[1] / e[2]) / log(2.0), 10.0);
}

/* the reduced order that nrx_sym_scheme states for general T: a system that claims a quadratic T but has another one */
static void reduced_orders(void)
{
    nrx_sym_system liar = nrx_sym_relativistic_pendulum(), g = liar;
    nrx_sym_scheme scheme;
    nrx_sym_desc desc = NRX_ZERO;
    double ref[2 * TIMES], z[2] = { 2.0, 0.0 };
    static const double z0[2] = { 2.0, 0.0 };
    int m, k, seen = 0;
    liar.structure = NRX_SYM_QUADRATIC;
    desc.roundoff = NRX_SYM_COMPENSATED; desc.every = 200; desc.out_rows = TIMES; desc.out = ref;
    CHECK(nrx_sym_integrate(&g, NRX_SYM_GAUSS8, z, 10.0 / 4000, 4000, &desc, NULL) == NRX_OK);
    for (m = 0; nrx_sym_method_order(&liar, m, 0) > 0 && nrx_sym_scheme_get(m, &scheme) == NRX_OK; m++) {
        double e[4];
        size_t N = 40;
        if (scheme.order_general == scheme.order) continue;
        while (rms_error(&liar, m, NRX_SYM_COMPENSATED, z0, ref, 10.0, N) > 4e-7) N += TIMES;
        for (k = 0; k < 4; k++) e[k] = rms_error(&liar, m, NRX_SYM_COMPENSATED, z0, ref, 10.0, N << k);
        for (k = 1; k < 4; k++) order_is(nrx_sym_method_name(m), log(e[k - 1] / e[k]) / log(2.0), scheme.order_general);
        if (getenv("VERBOSE")) printf("%s, T general in disguise: order %d, %.1e to %.1e\n", nrx_sym_method_name(m), scheme.order_general, e[0], e[3]);
        CHECK(nrx_sym_method_order(&g, m, 0) == 0);
        seen++;
    }
    CHECK(seen == 4);
}

int main(void)
{
    reference_table();
    reduced_orders();
    observed_orders();
    order_ten();
    return nrx_test_end();
}
