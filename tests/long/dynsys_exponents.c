/* Long: Lyapunov spectra of the catalogue's first 56 flows against independently computed ones (RK4, 3000 to 10000 periods), and Lorenz to T = 1e5.
   SPDX-License-Identifier: MIT-0 OR Unlicense */
#include "../nrx_test.h"
#define NRX_DYNSYS_IMPLEMENTATION
#include "nrx_dynsys.h"

int main(int argc, char **argv)
{
    double periods = argc > 1 ? atof(argv[1]) : 4000, l[8], e[8];
    size_t i, j;
    int good = 0, whole = 0, flows = 0;
    nrx_dyn_system s;
    nrx_dyn_lyapunov_desc d = NRX_ZERO;
    nrx_dyn_lyapunov_info info;
    if (argc > 2) {
        CHECK(nrx_dyn_find("Lorenz63", &s) == NRX_OK);
        d.time = atof(argv[2]); d.trajectories = 100; d.transient = 20; d.blocks = 10;
        CHECK(nrx_dyn_lyapunov(&s.field, s.y0, &d, l, e, &info) == NRX_OK);
        printf("Lorenz63 T %.0f in 100 trajectories: %.5f +- %.5f, %.5f +- %.5f, %.5f +- %.5f; sum + 41/3 = %.2e; D_KY %.5f\n", info.time, l[0], e[0], l[1], e[1], l[2], e[2], info.sum + 41.0 / 3, info.kaplan_yorke);
        CHECK_NEAR(l[0], 0.9056, 0.002);
        CHECK_NEAR(info.sum, -41.0 / 3, 1e-6);
    }
    printf("%-24s %9s %9s %9s   %s\n", "flow", "lambda_1", "error", "reference", "full spectrum (reference)");
    for (i = 0; i < 56; i++) {
        double ref, tol;
        int ok;
        CHECK(nrx_dyn_get(i, &s) == NRX_OK);
        memset(&d, 0, sizeof d);
        d.time = periods * s.period; d.transient = 100 * s.period; d.rtol = d.atol = 1e-8;
        if (nrx_dyn_lyapunov(&s.field, s.y0, &d, l, e, &info) != NRX_OK) { printf("%-24s failed\n", s.name); flows++; continue; }
        ref = s.exponents[0];
        tol = fmax(0.03 * fabs(ref), 3 * e[0]);
        if (fabs(ref) < 5e-4) tol = fmax(tol, 1e-3 + 5 / d.time); /* regular orbits: the reference shows magnitudes below 5e-4 as 0 */
        ok = fabs(l[0] - ref) <= tol;
        good += ok;
        flows++;
        printf("%-24s %9.5f %9.5f %9.5f %s", s.name, l[0], e[0], ref, ok ? "  " : "* ");
        for (j = 0; j < s.n; j++) {
            double r = s.exponents[j], off = fabs(l[j] - r), may = fmax(0.03 * fabs(r), 3 * e[j]);
            if (fabs(r) < 5e-4) may = fmax(may, 1e-3 + 5 / d.time);
            printf(" %.4f (%.4g)%s", l[j], r, off <= may ? "" : "*");
            ok = ok && off <= may;
        }
        whole += ok;
        printf("\n");
        fflush(stdout);
    }
    printf("%d of %d flows within max(3 %%, three standard errors)\n", good, flows);
    printf("%d of %d with every exponent of the spectrum within the same bounds\n", whole, flows);
    CHECK(good >= 50);
    return nrx_test_end();
}
