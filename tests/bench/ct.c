/* Tomography: projectors, filtered back projection, cone beam.
   SPDX-License-Identifier: MIT-0 OR Unlicense */
#define NRX_CT_IMPLEMENTATION
#include "nrx_ct.h"
#include "bench.h"

static void one(const char *name, nrx_ct_geometry g, int fbp)
{
    char label[80];
    size_t n = nrx_ct_image_size(&g), m = nrx_ct_sino_size(&g);
    float *x = (float *)calloc(n, sizeof *x), *y = (float *)calloc(m, sizeof *y);
    nrx_linop op;
    if (x && y && nrx_ct_phantom_shepp_logan(&g, x) == NRX_OK && nrx_ct_linop(&g, &op) == NRX_OK) {
        snprintf(label, sizeof label, "%s_fwd", name);
        BENCH(label, op.apply(op.user, x, y));
        snprintf(label, sizeof label, "%s_bwd", name);
        BENCH(label, op.adjoint(op.user, y, x));
        snprintf(label, sizeof label, "%s_fbp", name);
        if (fbp) BENCH(label, nrx_ct_fbp(&g, y, x, NULL));
        nrx_ct_linop_free(&op);
    }
    free(x);
    free(y);
}

static int any_wanted(const char *stem)
{
    int i;
    for (i = 1; i < bench_argc; i++) if (strncmp(stem, bench_argv[i], strlen(stem) < strlen(bench_argv[i]) ? strlen(stem) : strlen(bench_argv[i])) == 0) return 1;
    return bench_argc < 2;
}

int main(int argc, char **argv)
{
    static const char *const kernel[3] = {"", "_siddon", "_area"};
    char name[64];
    int k;
    BENCH_MAIN(argc, argv);
    if (any_wanted("ct_par_256_180")) one("ct_par_256_180", nrx_ct_parallel(256, 256, 180, 363), 1);
    for (k = 0; k < 3; k++) {
        nrx_ct_geometry g = nrx_ct_parallel(512, 512, 360, 729), f = nrx_ct_fan_flat(512, 512, 360, 729, 1024, 1536, 1.6);
        g.kernel = f.kernel = k;
        snprintf(name, sizeof name, "ct_par_512_360%s", kernel[k]);
        if (any_wanted(name)) one(name, g, k == 0);
        snprintf(name, sizeof name, "ct_fan_512_360%s", kernel[k]);
        if (any_wanted(name)) one(name, f, k == 0);
    }
    if (any_wanted("ct_cone_128_180")) one("ct_cone_128_180", nrx_ct_cone(128, 128, 128, 180, 192, 192, 512, 768, 1), 0);
    return 0;
}
