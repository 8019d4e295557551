/* symplectic_classics.c - what geometric integrators are for, in four pictures
   SPDX-License-Identifier: MIT-0 OR Unlicense

   cc -O2 examples/symplectic_classics.c -o symplectic_classics -lm && ./symplectic_classics [--out DIR]
       energy.png   energy error of ten methods over 10^6 steps of Henon-Heiles
       work.png     work against precision on the Kepler problem
       section.png  Poincare sections of Henon-Heiles at three energies, with MEGNO for one orbit of each
       solar.png    the outer solar system for 200 000 days */
#define NRX_VERBOSE
#define NRX_SYMPLECTIC_IMPLEMENTATION
#include "../nrx_symplectic.h"
#include "draw.h"
// expect: kahan_li8 compensated
// expect: Kepler: 1e-0?8 needs
// expect: section at E
// expect: Jupiter after 200000 days

static const char *out_dir = ".";

static void save(draw_canvas *c, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", out_dir, name);
    if (draw_save(c, path)) printf("wrote %s\n", path);
    draw_free(c);
}

/* largest |H - H0| so far, kept at times that are equally spaced on the logarithmic axis */
typedef struct { const nrx_sym_system *sys; double e0, worst, next, t[200], e[200]; size_t n; } drift;

static int watch(void *user, size_t step, double t, const double *z)
{
    drift *d = (drift *)user;
    double e;
    (void)step;
    if (nrx_sym_energy(d->sys, t, z, &e) != NRX_OK) return 1;
    if (fabs(e - d->e0) > d->worst) d->worst = fabs(e - d->e0);
    if (t >= d->next && d->n < 200) {
        d->t[d->n] = t;
        d->e[d->n++] = d->worst > 1e-18 ? d->worst : 1e-18;
        d->next = t * 1.06;
    }
    return 0;
}

static void energy_drift(void)
{
    static const int method[10] = { NRX_SYM_EXPLICIT_EULER, NRX_SYM_RK4, NRX_SYM_EULER_A, NRX_SYM_VERLET, NRX_SYM_FOREST_RUTH,
                                    NRX_SYM_PEFRL, NRX_SYM_SRKN6B, NRX_SYM_SRKN11B, NRX_SYM_KAHAN_LI8, NRX_SYM_KAHAN_LI8 };
    nrx_sym_system hh = nrx_sym_henon_heiles();
    draw_canvas c = draw_new(900, 520, 0xffffff);
    draw_plot p = draw_axes(&c, 10, 10, 880, 500, 0.5, 5e4, 1e-17, 1, DRAW_LOG_X | DRAW_LOG_Y,
                            "Henon-Heiles, 10^6 steps of 0.05: energy error", "time", "max |H - H0|");
    int i;
    for (i = 0; i < 10; i++) {
        double z[4] = { 0.1, 0.0, 0.0, 0.5 };
        drift d;
        nrx_sym_desc desc = NRX_ZERO;
        nrx_sym_info info;
        char label[60];
        memset(&d, 0, sizeof d);
        d.sys = &hh; d.next = 0.5;
        (void)nrx_sym_energy(&hh, 0.0, z, &d.e0);
        desc.every = 10; desc.observe = watch; desc.observe_user = &d;
        desc.roundoff = i == 9 ? NRX_SYM_COMPENSATED : NRX_SYM_PLAIN;
        snprintf(label, sizeof label, "%s%s", nrx_sym_method_name(method[i]), i == 9 ? " compensated" : "");
        if (nrx_sym_integrate(&hh, method[i], z, 0.05, 1000000, &desc, &info) != NRX_OK)
            printf("%-26s left the valley at t = %.1f\n", label, info.t);
        else printf("%-26s max |H - H0| = %.1e\n", label, info.max_energy_error);
        draw_curve(&p, d.n, d.t, d.e, draw_palette[i], label);
    }
    save(&c, "energy.png");
}

static void work_precision(void)
{
    static const int method[9] = { NRX_SYM_VERLET, NRX_SYM_FOREST_RUTH, NRX_SYM_PEFRL, NRX_SYM_SRKN6B, NRX_SYM_KAHAN_LI6, NRX_SYM_SRKN11B,
                                   NRX_SYM_KAHAN_LI8, NRX_SYM_GAUSS8, NRX_SYM_RK4 };
    nrx_sym_system kep = nrx_sym_kepler();
    draw_canvas c = draw_new(900, 520, 0xffffff);
    draw_plot p = draw_axes(&c, 10, 10, 880, 500, 1e2, 2e5, 1e-12, 10, DRAW_LOG_X | DRAW_LOG_Y, "Kepler, e = 0.6, 10 periods",
                            "force evaluations per period", "error of the position");
    int i;
    for (i = 0; i < 9; i++) {
        double work[20], error[20], needs = 0.0;
        size_t n = 0, steps;
        nrx_sym_scheme s;
        const int splitting = method[i] <= NRX_SYM_SOFRONIOU_SPALETTA10 && nrx_sym_scheme_get(method[i], &s) == NRX_OK;
        const int forces = splitting ? s.stages - (s.a[0] == 0.0) : 4;
        for (steps = 40; steps <= 20000; steps = steps * 3 / 2) {
            double z[4] = { 0.4, 0.0, 0.0, 2.0 }, e;
            nrx_sym_desc desc = NRX_ZERO;
            nrx_sym_info info;
            desc.roundoff = NRX_SYM_COMPENSATED;
            if (steps * (size_t)forces > 100000) break;
            if (nrx_sym_integrate(&kep, method[i], z, 2.0 * NRX_PI / (double)steps, 10 * steps, &desc, &info) != NRX_OK) continue;
            e = hypot(z[0] - 0.4, z[1]);
            work[n] = method[i] == NRX_SYM_GAUSS8 ? 4.0 * (double)info.iterations / 10.0 : (double)forces * (double)steps;
            error[n] = e > 1e-14 ? e : 1e-14;
            if (error[n] < 1e-8 && needs == 0.0) needs = work[n];
            n++;
        }
        draw_curve(&p, n, work, error, draw_palette[i], nrx_sym_method_name(method[i]));
        if (needs > 0.0) printf("Kepler: 1e-8 needs %7.0f forces per period with %s\n", needs, nrx_sym_method_name(method[i]));
    }
    save(&c, "work.png");
}

static void poincare(void)
{
    static const double E[3] = { 1.0 / 12.0, 1.0 / 8.0, 0.1595 };
    nrx_sym_system hh = nrx_sym_henon_heiles();
    draw_canvas c = draw_new(1200, 430, 0xffffff);
    int k, orbit;
    for (k = 0; k < 3; k++) {
        char title[60];
        double Y = 0.0;
        size_t total = 0;
        draw_plot p;
        snprintf(title, sizeof title, "E = %.4f", E[k]);
        p = draw_axes(&c, 10 + 395 * k, 10, 385, 410, -0.6, 0.9, -0.6, 0.6, DRAW_LINEAR, title, "q2", "p2");
        for (orbit = 0; orbit < 24; orbit++) {
            const double q2 = -0.4 + 0.045 * orbit, p2 = 0.05 * (orbit % 5), p1 = 2.0 * E[k] - q2 * q2 + 2.0 / 3.0 * q2 * q2 * q2 - p2 * p2;
            double z[4], rows[250 * 5], x[250], y[250];
            size_t found, i;
            if (p1 <= 0.0) continue;
            z[0] = 0.0; z[1] = q2; z[2] = sqrt(p1); z[3] = p2;
            if (nrx_sym_poincare(&hh, NRX_SYM_SRKN11B, z, 0.2, 20000, 0, 0.0, 1, rows, 250, &found, NULL) != NRX_OK) continue;
            for (i = 0; i < found; i++) { x[i] = rows[5 * i + 2]; y[i] = rows[5 * i + 4]; }
            draw_points(&p, found, x, y, 1, draw_palette[orbit % 10], NULL);
            total += found;
            if (orbit == 4) (void)nrx_sym_megno(&hh, NRX_SYM_SRKN6B, z, 0.2, 20000, 1, &Y, NULL, NULL);
        }
        printf("section at E = %.4f: %d crossings; MEGNO of one orbit %.2f\n", E[k], (int)total, Y);
    }
    save(&c, "section.png");
}

static void solar_system(void)
{
    static const char *name[6] = { "Sun", "Jupiter", "Saturn", "Uranus", "Neptune", "Pluto" };
    static double rows[2000 * 36], x[2000], y[2000];
    nrx_sym_nbody bodies;
    nrx_sym_system sys;
    nrx_sym_desc desc = NRX_ZERO;
    nrx_sym_info info;
    double z[36], z0[36], seconds;
    draw_canvas c = draw_new(700, 700, 0xffffff);
    draw_plot p = draw_axes(&c, 10, 10, 680, 680, -50, 50, -50, 50, DRAW_LINEAR, "outer solar system, 200 000 days", "AU", "AU");
    size_t b, i;
    if (nrx_sym_outer_solar_system(&bodies, &sys, z0) != NRX_OK) return;
    memcpy(z, z0, sizeof z);
    desc.roundoff = NRX_SYM_COMPENSATED; desc.every = 2; desc.out = rows; desc.out_rows = 2000;
    seconds = draw_seconds();
    if (nrx_sym_integrate(&sys, NRX_SYM_KAHAN_LI8, z, 50.0, 4000, &desc, &info) != NRX_OK) return;
    seconds = draw_seconds() - seconds;
    for (b = 0; b < 6; b++) {
        for (i = 0; i < info.out_rows; i++) { x[i] = rows[36 * i + 3 * b]; y[i] = rows[36 * i + 3 * b + 1]; }
        draw_points(&p, info.out_rows, x, y, b ? 1 : 3, draw_palette[b], name[b]);
    }
    printf("Jupiter after 200000 days: %.10f %.10f %.10f (kahan_li8, 50 d steps, %.2f s, dE/E %.1e)\n", z[3], z[4], z[5], seconds,
           info.max_energy_error / fabs(info.energy0));
    {
        double w[36];
        nrx_sym_desc wh = NRX_ZERO;
        wh.corrector = 17; wh.every = 10;
        memcpy(w, z0, sizeof w);
        seconds = draw_seconds();
        if (nrx_sym_integrate(&sys, NRX_SYM_WISDOM_HOLMAN, w, 100.0, 2000, &wh, &info) == NRX_OK)
            printf("Wisdom-Holman, 100 d steps, corrector 17: Jupiter off by %.1e AU, dE/E %.1e, %.3f s\n",
                   sqrt((w[3] - z[3]) * (w[3] - z[3]) + (w[4] - z[4]) * (w[4] - z[4])), info.max_energy_error / fabs(info.energy0),
                   draw_seconds() - seconds);
    }
    save(&c, "solar.png");
}

int main(int argc, char **argv)
{
    int i;
    for (i = 1; i + 1 < argc; i++) if (strcmp(argv[i], "--out") == 0) out_dir = argv[i + 1];
    energy_drift();
    work_precision();
    poincare();
    solar_system();
    return 0;
}
