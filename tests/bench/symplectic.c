/* Workloads of nrx_symplectic.h: prints "name seconds", best of several runs.
   SPDX-License-Identifier: MIT-0 OR Unlicense
   cc -O2 -I. tests/bench/symplectic.c -lm */
#include "bench.h"
#define NRX_SYMPLECTIC_IMPLEMENTATION
#include "nrx_symplectic.h"

/* prints the best of `runs` times, divided by `parts` */
static void best(const char *name, int runs, void (*job)(void *), void *arg, double parts)
{
    double least = 1e30;
    int i;
    if (!bench_wanted(name)) return;
    for (i = 0; i < runs; i++) {
        double t = bench_now();
        job(arg);
        t = bench_now() - t;
        if (t < least) least = t;
    }
    printf("%s %.4g\n", name, least / parts);
    fflush(stdout);
}

typedef struct { nrx_sym_system sys; nrx_sym_desc desc; int method; size_t d, steps, lanes; double h, z0[64]; } work_t;

static void run(void *arg)
{
    work_t *w = (work_t *)arg;
    double z[64];
    memcpy(z, w->z0, sizeof z);
    if (nrx_sym_integrate(&w->sys, w->method, z, w->h, w->steps, &w->desc, NULL) != NRX_OK) printf("failed\n");
}

static void run_batch(void *arg)
{
    work_t *w = (work_t *)arg;
    static double z[4 * 1024];
    size_t l;
    for (l = 0; l < w->lanes; l++) {
        z[l] = 0.1 + 1e-4 * (double)l; z[w->lanes + l] = 0.0; z[2 * w->lanes + l] = 0.0; z[3 * w->lanes + l] = 0.5;
    }
    if (nrx_sym_integrate_batch(&w->sys, w->method, z, w->lanes, w->h, w->steps, NULL) != NRX_OK) printf("failed\n");
}

static nrx_status user_hh(void *user, double t, const double *q, const double *p, double *g)
{
    (void)user; (void)t; (void)p;
    g[0] = q[0] * (1.0 + 2.0 * q[1]);
    g[1] = q[1] + q[0] * q[0] - q[1] * q[1];
    return NRX_OK;
}

static void hand_verlet(void *arg)
{
    work_t *w = (work_t *)arg;
    double q1 = w->z0[0], q2 = w->z0[1], p1 = w->z0[2], p2 = w->z0[3], h = w->h;
    volatile double sink;
    size_t n;
    q1 += 0.5 * h * p1; q2 += 0.5 * h * p2;
    for (n = 0; n < w->steps; n++) {
        p1 -= h * (q1 * (1.0 + 2.0 * q2)); p2 -= h * (q2 + q1 * q1 - q2 * q2);
        q1 += h * p1; q2 += h * p2;
    }
    sink = q1 + q2 + p1 + p2;
    (void)sink;
}

/* one unsupervised step: residual + Hamiltonian matching on 700 points, gradient, clipping and Adam update */
static void train(void *arg)
{
    nrx_sym_train_desc t = NRX_ZERO;
    work_t *w = (work_t *)arg;
    nrx_sym_flow_desc fd = NRX_ZERO;
    nrx_sym_flow *f;
    fd.d = w->sys.d;
    if (nrx_sym_flow_create(&fd, &f) != NRX_OK) return;
    t.system = &w->sys; t.matching = 1.0; t.steps = w->steps; t.test_points = 8;
    if (nrx_sym_flow_train(f, &t, NULL) != NRX_OK) printf("failed\n");
    nrx_sym_flow_destroy(f);
}

static void evaluate(void *arg)
{
    work_t *w = (work_t *)arg;
    static double x[4096], t[1024];
    nrx_sym_flow_desc fd = NRX_ZERO;
    nrx_sym_flow *f;
    size_t i;
    fd.d = 2;
    if (nrx_sym_flow_create(&fd, &f) != NRX_OK) return;
    for (i = 0; i < 1024; i++) { t[i] = 1.0; x[4 * i] = 0.3; x[4 * i + 1] = -0.3; x[4 * i + 2] = 0.3; x[4 * i + 3] = 0.15; }
    for (i = 0; i < w->steps; i++) (void)nrx_sym_flow_eval(f, 1024, t, x, x);
    nrx_sym_flow_destroy(f);
}

/* Sun and eight planets on circles of their semi-major axes (AU), a little inclined, spread by the golden angle; days, solar masses */
static void nine_bodies(nrx_sym_nbody *b, nrx_sym_system *s, double *z)
{
    static const double mass[9] = { 1.0, 1.66e-7, 2.448e-6, 3.04e-6, 3.227e-7, 9.548e-4, 2.859e-4, 4.366e-5, 5.151e-5 };
    static const double axis[9] = { 0, 0.387, 0.723, 1.0, 1.524, 5.203, 9.537, 19.19, 30.07 };
    size_t i;
    memset(b, 0, sizeof *b);
    b->bodies = 9; b->dim = 3; b->mass = mass; b->G = 2.95912208286e-4;
    if (nrx_sym_nbody_system(b, s) != NRX_OK) printf("failed\n");
    for (i = 0; i < 54; i++) z[i] = 0.0;
    for (i = 1; i < 9; i++) {
        const double angle = 2.39996 * (double)i, v = mass[i] * sqrt(b->G / axis[i]);
        z[3 * i] = axis[i] * cos(angle); z[3 * i + 1] = axis[i] * sin(angle);
        z[27 + 3 * i] = -v * sin(angle); z[28 + 3 * i] = v * cos(angle); z[29 + 3 * i] = 0.02 * v;
    }
}

int main(int argc, char **argv)
{
    work_t w;
    nrx_sym_nbody bodies;
    BENCH_MAIN(argc, argv);
    memset(&w, 0, sizeof w);
    w.sys = nrx_sym_henon_heiles();
    w.z0[0] = 0.1; w.z0[3] = 0.5;
    w.h = 0.01; w.method = NRX_SYM_VERLET; w.steps = 1000000;
    best("sym_verlet_henonheiles_hand_1e6", 7, hand_verlet, &w, 1);
    best("sym_verlet_henonheiles_hook_1e6", 7, run, &w, 1);
    w.sys.hook = NULL; w.sys.dq = user_hh;
    best("sym_verlet_henonheiles_1e6", 7, run, &w, 1);
    w.method = NRX_SYM_KAHAN_LI8; w.steps = 100000;
    best("sym_kahanli8_henonheiles_1e5", 7, run, &w, 1);
    w.desc.roundoff = NRX_SYM_COMPENSATED;
    best("sym_kahanli8_henonheiles_compensated_1e5", 7, run, &w, 1);
    w.sys = nrx_sym_henon_heiles();
    best("sym_kahanli8_henonheiles_hook_compensated_1e5", 7, run, &w, 1);
    w.desc.roundoff = 0;
    best("sym_kahanli8_henonheiles_hook_1e5", 7, run, &w, 1);
    w.method = NRX_SYM_VERLET; w.steps = 1000000; w.lanes = 8;
    best("sym_verlet_henonheiles_batch8_8e6", 5, run_batch, &w, 1);
    w.lanes = 64; w.steps = 100000;
    best("sym_verlet_henonheiles_batch64_6.4e6", 5, run_batch, &w, 1);

    memset(&w, 0, sizeof w);
    w.sys = nrx_sym_kepler();
    w.z0[0] = 0.4; w.z0[3] = 2.0;
    w.h = 1e-3; w.method = NRX_SYM_SRKN6B; w.steps = 1000000;
    best("sym_srkn_kepler_1e6", 5, run, &w, 1);
    w.method = NRX_SYM_SB3A5;
    best("sym_sb3a5_kepler_1e6", 5, run, &w, 1);

    memset(&w, 0, sizeof w);
    (void)nrx_sym_outer_solar_system(&bodies, &w.sys, w.z0);
    w.h = 10.0; w.method = NRX_SYM_VERLET; w.steps = 1000000;
    best("sym_nbody6_leapfrog_1e6", 3, run, &w, 1);
    w.method = NRX_SYM_WISDOM_HOLMAN;
    w.h = 10.0;
    best("sym_nbody6_wh_1e6", 3, run, &w, 1);
    nine_bodies(&bodies, &w.sys, w.z0);
    w.h = 3.0;
    w.steps = 300000;
    best("sym_nbody9_wh_3e5", 3, run, &w, 1);
    w.method = NRX_SYM_VERLET;
    best("sym_nbody9_leapfrog_3e5", 3, run, &w, 1);

    memset(&w, 0, sizeof w);
    w.sys = nrx_sym_oscillator();
    w.steps = 20;
    best("sym_sympflow_train_step_L3H10_700", 5, train, &w, 20);
    w.steps = 10;
    best("sym_sympflow_eval_d2_L3H10_1024", 5, evaluate, &w, 10);
    return 0;
}
