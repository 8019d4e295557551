/* Long: the audit of 10^8 streamed samples in the memory of its triangular factors; seconds and peak memory are printed.
   SPDX-License-Identifier: MIT-0 OR Unlicense
   First argument: samples (default 1e8). The oscillator's samples are a rotation, restarted from sin and cos every block;
   Lorenz is stepped by RK4 with h = 0.002. */
#define _POSIX_C_SOURCE 200809L
#include "../nrx_test.h"
#define NRX_DYNSYS_IMPLEMENTATION
#include "nrx_dynsys.h"
#include <sys/resource.h>
#include <time.h>

enum { BLOCK = 4000 };
static double block[BLOCK * 3];

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void lorenz(const double *y, double *d)
{
    d[0] = 10 * (y[1] - y[0]);
    d[1] = y[0] * (28 - y[2]) - y[1];
    d[2] = y[0] * y[1] - 8.0 / 3 * y[2];
}
static void lorenz_step(double *y, double h)
{
    double a[3], b[3], c[3], e[3], w[3];
    int i;
    lorenz(y, a);
    for (i = 0; i < 3; i++) w[i] = y[i] + 0.5 * h * a[i];
    lorenz(w, b);
    for (i = 0; i < 3; i++) w[i] = y[i] + 0.5 * h * b[i];
    lorenz(w, c);
    for (i = 0; i < 3; i++) w[i] = y[i] + h * c[i];
    lorenz(w, e);
    for (i = 0; i < 3; i++) y[i] += h / 6 * (a[i] + 2 * b[i] + 2 * c[i] + e[i]);
}

static void run(const char *name, size_t d, size_t total, size_t null)
{
    nrx_dyn_audit_desc q = NRX_ZERO;
    nrx_dyn_audit_report *r;
    nrx_dyn_auditor *a;
    double y[3] = {-8, 8, 27}, begin = seconds(), make = 0;
    struct rusage usage;
    size_t i, done, n;
    q.library.degree = 3;
    q.noise = -1;
    for (i = 0; i < 20000; i++) lorenz_step(y, 0.002);
    CHECK(nrx_dyn_auditor_create(d, &q, &a) == NRX_OK);
    for (done = 0; done < total; done += n) {
        double t0 = seconds();
        n = total - done < BLOCK ? total - done : BLOCK;
        if (d == 2) {
            double th = fmod(0.618033988749895 * (double)done, 6.283185307179586), c = cos(0.618033988749895), s = sin(0.618033988749895);
            block[0] = cos(th);
            block[1] = sin(th);
            for (i = 1; i < n; i++) {
                block[2 * i] = c * block[2 * i - 2] - s * block[2 * i - 1];
                block[2 * i + 1] = s * block[2 * i - 2] + c * block[2 * i - 1];
            }
        } else for (i = 0; i < n; i++) { lorenz_step(y, 0.002); memcpy(block + 3 * i, y, sizeof y); }
        make += seconds() - t0;
        CHECK(nrx_dyn_auditor_push(a, n, block) == NRX_OK);
    }
    CHECK(nrx_dyn_auditor_finish(a, &r) == NRX_OK);
    getrusage(RUSAGE_SELF, &usage);
    printf("%s: %zu samples, degree 3, %zu terms, null %zu, s_min/s_1 %.3g: %.1f s of which %.1f to make the samples; peak memory %.1f MB\n",
           name, r->samples, r->degree[r->degrees - 1].terms, r->degree[r->degrees - 1].null, r->degree[r->degrees - 1].ratio,
           seconds() - begin, make, (double)usage.ru_maxrss / 1024);
    CHECK(r->samples == total);
    CHECK(r->degree[r->degrees - 1].null == null);
    nrx_dyn_audit_free(r);
    nrx_dyn_auditor_free(a);
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? (size_t)atof(argv[1]) : 100000000;
    run("harmonic oscillator", 2, n, 3);
    run("Lorenz", 3, n, 0);
    return nrx_test_end();
}
