/* Round-off in long runs: 10^8 steps of Kahan-Li 8 on Henon-Heiles, plain and compensated; the energy error of the compensated run grows
   like a random walk. Writes roundoff.png to the current directory.
   cc -O2 -I. tests/long/symplectic_roundoff.c -o roundoff -lm && ./roundoff [steps]
   SPDX-License-Identifier: MIT-0 OR Unlicense */
#define NRX_SYMPLECTIC_IMPLEMENTATION
#include "nrx_symplectic.h"
#include "../../examples/draw.h"

enum { POINTS = 400 };
typedef struct { const nrx_sym_system *sys; double e0, worst, next, t[POINTS], e[POINTS]; size_t n; double squares, times; long seen; } watch;

static int look(void *user, size_t step, double t, const double *z)
{
    watch *w = (watch *)user;
    double e;
    (void)step;
    (void)nrx_sym_energy(w->sys, t, z, &e);
    e = fabs(e - w->e0);
    if (e > w->worst) w->worst = e;
    if (t >= w->next && w->n < POINTS) { w->t[w->n] = t; w->e[w->n++] = w->worst > 1e-18 ? w->worst : 1e-18; w->next = t * 1.04; }
    return 0;
}

/* slope of log(worst) against log(t) over the last three decades */
static double slope(const watch *w)
{
    double sx = 0, sy = 0, sxx = 0, sxy = 0, n = 0;
    size_t i;
    for (i = 0; i < w->n; i++)
        if (w->t[i] > w->t[w->n - 1] / 1000) {
            const double x = log(w->t[i]), y = log(w->e[i]);
            sx += x; sy += y; sxx += x * x; sxy += x * y; n += 1;
        }
    return (n * sxy - sx * sy) / (n * sxx - sx * sx);
}

int main(int argc, char **argv)
{
    const size_t steps = argc > 1 ? (size_t)strtoull(argv[1], NULL, 10) : 100000000u;
    const double h = 0.01;
    nrx_sym_system hh = nrx_sym_henon_heiles();
    draw_canvas c = draw_new(900, 520, 0xffffff);
    draw_plot p = draw_axes(&c, 10, 10, 880, 500, 1, h * (double)steps, 1e-17, 1e-11, DRAW_LOG_X | DRAW_LOG_Y,
                            "Henon-Heiles, Kahan-Li 8, steps of 0.01: round-off", "time", "max |H - H0|");
    static watch w[2];
    int i;
    for (i = 0; i < 2; i++) {
        double z[4] = { 0.1, 0.0, 0.0, 0.5 }, seconds = draw_seconds();
        nrx_sym_desc desc = NRX_ZERO;
        nrx_sym_info info;
        size_t k;
        w[i].sys = &hh; w[i].next = 1.0;
        (void)nrx_sym_energy(&hh, 0, z, &w[i].e0);
        desc.roundoff = i ? NRX_SYM_COMPENSATED : NRX_SYM_PLAIN;
        desc.every = 100; desc.observe = look; desc.observe_user = &w[i];
        if (nrx_sym_integrate(&hh, NRX_SYM_KAHAN_LI8, z, h, steps, &desc, &info) != NRX_OK) return 1;
        printf("%s: max |H - H0| = %.2e after %.0e steps, growth t^%.2f, %.0f s\n", i ? "compensated" : "plain", w[i].worst, (double)steps,
               slope(&w[i]), draw_seconds() - seconds);
        for (k = 0; k < w[i].n; k++)
            if (k % 40 == 39) printf("    t %9.3g  %.2e\n", w[i].t[k], w[i].e[k]);
        draw_curve(&p, w[i].n, w[i].t, w[i].e, draw_palette[i], i ? "compensated" : "plain");
        fflush(stdout);
    }
    {
        double x[2], y[2];
        x[0] = 1; x[1] = h * (double)steps; y[0] = 1e-17; y[1] = 1e-17 * sqrt(x[1]);
        draw_curve(&p, 2, x, y, 0x7f7f7f, "square root of time");
    }
    draw_save(&c, "roundoff.png");
    draw_free(&c);
    return 0;
}
