/* symplectic_flow.c - SympFlow learned from the equations and from trajectories, beside an MLP, Verlet and RK4, and what each costs
   SPDX-License-Identifier: MIT-0 OR Unlicense

   cc -O2 examples/symplectic_flow.c -o symplectic_flow -lm && ./symplectic_flow [--out DIR] [--steps N]
       flow_energy.png   energy of the long-time iteration of each map
       flow_orbit.png    position over time, and the damped oscillator learned in doubled variables
   --steps N  Adam steps of each training (default 1200; refinement takes half as many). More is better: 10000 beats the published
   networks by a factor. */
#define NRX_VERBOSE
#define NRX_SYMPLECTIC_IMPLEMENTATION
#include "../nrx_symplectic.h"
#include "draw.h"
// expect: SympFlow from the equations
// expect: defect
// expect: Kahan-Li 8, one step
// expect: bound

static const char *out_dir = ".";
static size_t adam_steps = 1200;

static void save(draw_canvas *c, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", out_dir, name);
    if (draw_save(c, path)) printf("wrote %s\n", path);
    draw_free(c);
}

static nrx_sym_flow *learn(const char *name, int kind, const nrx_sym_train_desc *how, size_t d, int project)
{
    nrx_sym_flow_desc desc = NRX_ZERO;
    nrx_sym_train_desc t = *how;
    nrx_sym_train_info info;
    nrx_sym_flow *f = NULL;
    double seconds = draw_seconds();
    draw_bar bar = { name, 0, 0 };
    desc.d = d; desc.kind = kind; desc.seed = 1; desc.project = project;
    if (nrx_sym_flow_create(&desc, &f) != NRX_OK) exit(1);
    t.steps = adam_steps; t.refine = adam_steps / 2; t.lr = 1e-2; t.seed = 1;
    t.env.progress = draw_progress; t.env.progress_user = &bar;
    if (nrx_sym_flow_train(f, &t, &info) != NRX_OK) exit(1);
    printf("%-30s test loss %.1e after %.1f s\n", name, info.test, draw_seconds() - seconds);
    return f;
}

/* time series of one map of unit time; returns seconds per application */
typedef struct { const char *name; nrx_sym_flow *flow; int method; size_t sub; } rival;

static double apply(const rival *r, const nrx_sym_system *sys, double *z)
{
    const double one = 1.0;
    if (r->flow) return nrx_sym_flow_eval(r->flow, 1, &one, z, z) == NRX_OK;
    return nrx_sym_integrate(sys, r->method, z, 1.0 / (double)r->sub, r->sub, NULL, NULL) == NRX_OK;
}

static void doubled(void *user, nrx_rng *rng, double *x)
{
    (void)user;
    x[0] = 2.4 * nrx_rng_uniform(rng) - 1.2; x[2] = 2.4 * nrx_rng_uniform(rng) - 1.2;
    x[1] = x[0] + 0.02 * nrx_rng_uniform(rng) - 0.01;
    x[3] = -(x[2] + 0.02 * nrx_rng_uniform(rng) - 0.01);
}

int main(int argc, char **argv)
{
    enum { ROWS = 2000, LONG = 1000, RIVALS = 7 };
    static double x[2 * ROWS], y[2 * ROWS], t[ROWS], time_[LONG], energy[LONG], pos[LONG];
    static const double damping = 0.1;
    nrx_sym_system osc = nrx_sym_oscillator(), damped = nrx_sym_damped_oscillator(&damping);
    nrx_sym_train_desc physics = NRX_ZERO, data = NRX_ZERO, loss = NRX_ZERO;
    rival r[RIVALS];
    nrx_rng rng;
    draw_canvas c = draw_new(900, 500, 0xffffff);
    draw_plot p = draw_axes(&c, 10, 10, 880, 480, 1, LONG, 1e-9, 10, DRAW_LOG_X | DRAW_LOG_Y, "oscillator, maps of unit time, iterated",
                            "time", "|H - H0| / H0");
    size_t i, k;
    int a;
    for (a = 1; a + 1 < argc; a++) {
        if (strcmp(argv[a], "--out") == 0) out_dir = argv[a + 1];
        if (strcmp(argv[a], "--steps") == 0) adam_steps = (size_t)strtoul(argv[a + 1], NULL, 10);
    }
    physics.system = &osc; physics.low = -1.2; physics.high = 1.2;
    nrx_rng_seed(&rng, 5, 0);
    for (i = 0; i < ROWS; i++) {       /* 2000 pairs: where a point of the box is after a random time below 1 */
        x[2 * i] = 2.4 * nrx_rng_uniform(&rng) - 1.2; x[2 * i + 1] = 2.4 * nrx_rng_uniform(&rng) - 1.2;
        t[i] = nrx_rng_uniform(&rng);
        y[2 * i] = cos(t[i]) * x[2 * i] + sin(t[i]) * x[2 * i + 1]; y[2 * i + 1] = cos(t[i]) * x[2 * i + 1] - sin(t[i]) * x[2 * i];
    }
    data.x = x; data.t = t; data.y = y; data.rows = ROWS;
    memset(r, 0, sizeof r);
    r[0].name = "SympFlow from the equations"; r[0].flow = learn(r[0].name, NRX_SYM_NET_SYMPFLOW, &physics, 1, 0);
    r[1].name = "SympFlow from trajectories"; r[1].flow = learn(r[1].name, NRX_SYM_NET_SYMPFLOW, &data, 1, 0);
    r[2].name = "MLP from the equations"; r[2].flow = learn(r[2].name, NRX_SYM_NET_MLP, &physics, 1, 0);
    r[3].name = "Verlet, 10 steps"; r[3].method = NRX_SYM_VERLET; r[3].sub = 10;
    r[4].name = "RK4, 5 steps"; r[4].method = NRX_SYM_RK4; r[4].sub = 5;
    r[5].name = "Verlet, 20 steps"; r[5].method = NRX_SYM_VERLET; r[5].sub = 20;
    r[6].name = "Kahan-Li 8, one step"; r[6].method = NRX_SYM_KAHAN_LI8; r[6].sub = 1;
    printf("\n%-28s %9s %9s %9s %11s %10s %10s\n", "map of unit time", "err t=1", "err t=10", "err t=100", "max dE/E", "defect", "us each");
    for (k = 0; k < RIVALS; k++) {
        double z[2] = { 1.0, 0.0 }, err[3] = { 0, 0, 0 }, worst = 0.0, defect = 0.0, seconds, start[2] = { 0.7, 0.3 };
        nrx_sym_map map;
        nrx_sym_method_map_storage store;
        nrx_sym_report report;
        nrx_sym_check_desc check = NRX_ZERO;
        for (i = 0; i < LONG; i++) {
            const double now = (double)(i + 1);
            double e;
            (void)apply(&r[k], &osc, z);
            e = fabs(z[0] * z[0] + z[1] * z[1] - 1.0);
            if (e > worst) worst = e;
            time_[i] = now;
            energy[i] = e > 1e-16 ? e : 1e-16;
            if (i == 0 || i == 9 || i == 99) err[i == 0 ? 0 : i == 9 ? 1 : 2] = hypot(z[0] - cos(now), z[1] + sin(now));
        }
        draw_curve(&p, LONG, time_, energy, draw_palette[k], r[k].name);
        check.h = r[k].flow ? 1.0 : 1.0 / (double)r[k].sub; check.halvings = -1;
        if ((r[k].flow ? nrx_sym_flow_map(r[k].flow, &map) : nrx_sym_method_map(&osc, r[k].method, NULL, &store, &map)) == NRX_OK &&
            nrx_sym_check(&map, start, &check, &report) == NRX_OK) defect = report.symplectic;
        seconds = draw_seconds();
        for (i = 0; i < 2000; i++) (void)apply(&r[k], &osc, z);
        seconds = (draw_seconds() - seconds) / 2000;
        printf("%-28s %9.1e %9.1e %9.1e %11.1e %10.1e %10.2f\n", r[k].name, err[0], err[1], err[2], worst, defect, 1e6 * seconds);
    }
    save(&c, "flow_energy.png");
    {
        double start[2] = { 1.0, 0.0 }, bound, error;
        if (nrx_sym_flow_energy_bound(r[0].flow, &osc, 1.0, 50.0, 4, start, &bound, &error) == NRX_OK)
            printf("a-posteriori energy bound to t = 50: %.1e (actual error %.1e)\n", bound, error);
    }
    c = draw_new(900, 400, 0xffffff);
    p = draw_axes(&c, 10, 10, 880, 380, 0, 60, -1.1, 1.3, DRAW_LINEAR, "damped oscillator, learned in doubled variables", "time", "q");
    {
        nrx_sym_flow *f;
        double z[4] = { 1, 1, 0, 0 }, worst = 0, w = sqrt(1 - damping * damping / 4), unit = 1.0;
        loss.system = &damped; loss.sample = doubled;
        f = learn("damped SympFlow", NRX_SYM_NET_SYMPFLOW, &loss, 2, 1);
        for (i = 0; i <= 60; i++) {
            const double now = (double)i, q = exp(-damping * now / 2) * (cos(w * now) + damping / (2 * w) * sin(w * now));
            time_[i] = now; energy[i] = z[0]; pos[i] = q;
            if (fabs(z[0] - q) > worst) worst = fabs(z[0] - q);
            (void)nrx_sym_flow_eval(f, 1, &unit, z, z);
        }
        draw_curve(&p, 61, time_, pos, 0x7f7f7f, "exact at whole times");
        draw_points(&p, 61, time_, energy, 3, draw_palette[1], "SympFlow");
        printf("damped oscillator (damping %.1f): worst error of q to t = 60: %.1e\n", damping, worst);
        nrx_sym_flow_destroy(f);
    }
    save(&c, "flow_orbit.png");
    printf("A learned flow is a surrogate for systems that are known only through data or equations one cannot split. Where H is\n"
           "known, one step of a classical method is cheaper and more accurate: see the last line of the table.\n");
    for (k = 0; k < 3; k++) nrx_sym_flow_destroy(r[k].flow);
    return 0;
}
