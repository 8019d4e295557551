/* Long: HAVOK's coefficients on one given orbit of Lorenz-63, T = 200, 100 delays, r = 15, against stored ones (QR + SVD by numpy) to 1 %.
   SPDX-License-Identifier: MIT-0 OR Unlicense
   First argument: the orbit, made by "tests/ref/dynsys_havok.py FILE" (numpy and SciPy). The coefficients belong to that orbit. */
#include "../nrx_test.h"
#define NRX_DYNSYS_IMPLEMENTATION
#include "nrx_dynsys.h"

enum { N = 200000 };
static double x[N];

int main(int argc, char **argv)
{
    static const double super[13] = {5.197, 9.870, 13.656, 18.682, 23.284, 28.508, 33.556, 38.793, 44.093, 49.433, 54.726, 60.225, 65.347};
    double A[14 * 14], B[14], s[15], rest = 0, all = 0, worst = 0;
    size_t i, j;
    FILE *f = argc > 1 ? fopen(argv[1], "rb") : NULL;
    if (!f) { printf("needs the orbit that tests/ref/dynsys_havok.py FILE makes\n"); return 77; }
    CHECK(fread(x, sizeof *x, N, f) == N);
    fclose(f);
    CHECK(nrx_dyn_havok(N, x, 0.001, 100, 15, A, B, s, NULL) == NRX_OK);
    for (i = 0; i < 13; i++) {
        printf("%.3f/%.3f ", fabs(A[i * 14 + i + 1]), fabs(A[(i + 1) * 14 + i]));
        CHECK_REL(fabs(A[i * 14 + i + 1]), super[i], 0.01);
        CHECK_REL(fabs(A[(i + 1) * 14 + i]), super[i], 0.01);
        worst = fmax(worst, fabs(fabs(A[i * 14 + i + 1]) / super[i] - 1));
    }
    CHECK_REL(fabs(B[13]), 72.69, 0.01);
    for (i = 0; i < 14; i++) for (j = 0; j < 14; j++) {
        all += A[i * 14 + j] * A[i * 14 + j];
        if (i + 1 != j && j + 1 != i) rest += A[i * 14 + j] * A[i * 14 + j];
    }
    printf("\nsuper-diagonal within %.2g of the stored one; B %.3f; rest %.4f of the norm; s %.4f %.4f %.5f %.2e %.2e\n", worst, fabs(B[13]),
           sqrt(rest / all), s[1] / s[0], s[2] / s[0], s[3] / s[0], s[4] / s[0], s[5] / s[0]);
    CHECK_NEAR(sqrt(rest / all), 0.014, 0.0005);
    CHECK_REL(s[1] / s[0], 0.1532, 0.01);
    CHECK_REL(s[2] / s[0], 0.0200, 0.01);
    CHECK_REL(s[3] / s[0], 0.00235, 0.01);
    CHECK_REL(s[4] / s[0], 2.8e-4, 0.02); /* two digits are stored */
    return nrx_test_end();
}
