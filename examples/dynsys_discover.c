/* cc -O2 examples/dynsys_discover.c -o dynsys_discover -lm && ./dynsys_discover
   SPDX-License-Identifier: MIT-0 OR Unlicense

   Discover Lorenz's equations from noisy samples, with intervals, and audit the discovery; then see a harmonic oscillator and a
   Lotka-Volterra orbit refused, each with its first integral named, and the hare and lynx pelts of Hudson Bay fitted and judged.
   Writes dynsys_discover.png. */
#define NRX_VERBOSE
#define NRX_DYNSYS_IMPLEMENTATION
#include "../nrx_dynsys.h"
#include "draw.h"
// expect: \(x0\)' = \(-?(9\.9|10\.)
// expect: Verdict: (UNIQUE|ANALYTIC)
// expect: UNDECIDED
// expect: x0\^2|first integral
// expect: ln x0
// expect: wrote dynsys_discover.png

enum { N = 5000 };
static double t[N], x[N * 3], forecast[N * 3], u[N], v[N];

static nrx_dyn_data sample(const char *name, double span, double noise)
{
    nrx_dyn_system s;
    nrx_dyn_solve_desc d = NRX_ZERO;
    nrx_dyn_data q;
    nrx_rng rng;
    size_t i, j;
    memset(&q, 0, sizeof q);
    if (nrx_dyn_find(name, &s) != NRX_OK) return q;
    d.method = NRX_DYN_DOP853;
    d.rtol = d.atol = 1e-12;
    for (i = 0; i < N; i++) t[i] = span * (double)i / N;
    if (nrx_dyn_solve(&s.field, s.y0, N, t, x, &d, NULL) != NRX_OK) return q;
    nrx_rng_seed(&rng, 1, 0);
    for (j = 0; j < s.n; j++) {
        double mean = 0, var = 0;
        for (i = 0; i < N; i++) mean += x[i * s.n + j] / N;
        for (i = 0; i < N; i++) var += (x[i * s.n + j] - mean) * (x[i * s.n + j] - mean) / N;
        for (i = 0; i < N; i++) x[i * s.n + j] += noise * sqrt(var) * nrx_rng_normal(&rng);
    }
    q.n = N; q.d = s.n; q.x = x; q.dt = span / N;
    return q;
}

static void report(const nrx_dyn_data *q, int degree, int logs, double noise, const nrx_vfield *field)
{
    nrx_dyn_audit_desc d = NRX_ZERO;
    nrx_dyn_audit_report *r;
    d.library.degree = degree;
    d.library.logarithms = logs;
    d.noise = noise;
    d.field = field; /* gives exponents and the Kaplan-Yorke dimension */
    if (nrx_dyn_audit(q, &d, &r) == NRX_OK) { printf("%s\n", r->text); nrx_dyn_audit_free(r); }
}

int main(void)
{
    /* thousands of pelts, 1900 to 1920: hare, lynx (Hewitt 1921) */
    static const double pelts[21][2] = {{30, 4}, {47.2, 6.1}, {70.2, 9.8}, {77.4, 35.2}, {36.3, 59.4}, {20.6, 41.7}, {18.1, 19}, {21.4, 13}, {22, 8.3}, {25.4, 9.1},
        {27.1, 7.4}, {40.3, 8}, {57, 12.3}, {76.6, 19.5}, {52.3, 45.7}, {19.5, 51.1}, {11.2, 29.7}, {7.6, 15.8}, {14.6, 9.7}, {16.2, 10.1}, {24.7, 8.6}};
    static char text[4000];
    draw_canvas c = draw_new(900, 420, 0xffffff);
    draw_plot p;
    nrx_dyn_data q = sample("Lorenz63", 10, 0.02);
    nrx_dyn_sindy_desc d = NRX_ZERO;
    nrx_dyn_model *m;
    size_t i;

    printf("== Lorenz, 5000 samples with 2 %% noise, weak form ==\n");
    d.library.degree = 2;
    d.weak_half = 100;
    d.threshold = 0.5;
    if (nrx_dyn_sindy(&q, &d, &m) == NRX_OK) {
        nrx_vfield f;
        nrx_dyn_model_print(m, 3, 1, text, sizeof text);
        printf("%s\n", text);
        for (i = 0; i < N; i++) { u[i] = x[3 * i]; v[i] = x[3 * i + 2]; }
        p = draw_axes(&c, 10, 20, 430, 380, -25, 25, 0, 50, DRAW_LINEAR, "Lorenz: noisy samples and the discovered model", "x0", "x2");
        draw_points(&p, N, u, v, 1, 0xbbbbbb, "samples");
        if (nrx_dyn_model_field(m, &f) == NRX_OK) {
            double start[3] = {-8, 8, 27};
            if (nrx_dyn_solve(&f, start, N, t, forecast, NULL, NULL) == NRX_OK) {
                for (i = 0; i < N; i++) { u[i] = forecast[3 * i]; v[i] = forecast[3 * i + 2]; }
                draw_curve(&p, N, u, v, draw_palette[1], "model");
            }
        }
        printf("== the audit: other samples, 1 %% noise, degree 2, with the discovered field ==\n");
        q = sample("Lorenz63", 100, 0.01);
        report(&q, 2, 0, 0.01, &f);
        printf("== the same at degree 3: more terms than this noise can tell apart ==\n");
        report(&q, 3, 0, 0.01, &f);
        nrx_dyn_model_free(m);
    }

    printf("== harmonic oscillator, 1 %% noise ==\n");
    q = sample("HarmonicOscillator", 100, 0.01);
    report(&q, 2, 0, 0.01, NULL);
    printf("== Lotka-Volterra orbit, logarithms allowed ==\n");
    q = sample("LotkaVolterra", 100, 0.0);
    report(&q, 1, 1, -1, NULL);

    printf("== hare and lynx ==\n");
    memset(&q, 0, sizeof q);
    q.n = 21; q.d = 2; q.x = pelts[0]; q.dt = 1;
    memset(&d, 0, sizeof d);
    d.library.degree = 2;
    d.library.no_bias = 1;
    d.library.interactions_only = 1; /* H, L, H L */
    d.threshold = 0.01;
    if (nrx_dyn_sindy(&q, &d, &m) == NRX_OK) {
        static const char *const names[2] = {"H", "L"};
        m->names = names;
        nrx_dyn_model_print(m, 3, 1, text, sizeof text);
        printf("%s(21 samples: the intervals are wide, and the orbit lies near one level of the Lotka-Volterra integral: treat them with care)\n", text);
        nrx_dyn_model_free(m);
    }
    for (i = 0; i < 21; i++) { t[i] = 1900 + (double)i; u[i] = pelts[i][0]; v[i] = pelts[i][1]; }
    p = draw_axes(&c, 460, 20, 430, 380, 1900, 1920, 0, 90, DRAW_LINEAR, "pelts, thousands", "year", "");
    draw_curve(&p, 21, t, u, draw_palette[0], "hare");
    draw_curve(&p, 21, t, v, draw_palette[1], "lynx");
    draw_save(&c, "dynsys_discover.png");
    draw_free(&c);
    printf("wrote dynsys_discover.png\n");
    return 0;
}
