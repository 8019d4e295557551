/* SPDX-License-Identifier: MIT-0 OR Unlicense
   The two-scalar refit: ridge priors trained on 48 x 48 images are saved, loaded and fitted to another pixel size (32 x 32 on the same field), 20
   views and two noise levels with nrx_net_refit on ten phantoms. Its mean squared error must be within 1 % of the smallest on a fine grid (eighths
   of an octave around the best of a coarse grid over eleven octaves of weight and seven of scale), all computed from cold starts. An argument 0 to 3 takes one of the four cases. */
#include "../nrx_test.h"
#define NRX_CT_IMPLEMENTATION
#include "nrx_ct.h"
#define NRX_NETS_IMPLEMENTATION
#include "nrx_nets.h"

enum { TRAIN = 48, PICS = 60, N = 32, AREA = N * N, VIEWS = 20, BINS = 47, DATA = VIEWS * BINS, SLICES = 10 };
static nrx_linop raw, op;
static double unit;
static float truth[SLICES * AREA], data[SLICES * DATA];

static nrx_status apply(void *user, const void *x, void *y)
{
    nrx_status s = raw.apply(raw.user, x, y);
    size_t i;
    (void)user;
    for (i = 0; i < DATA; i++) ((float *)y)[i] *= (float)unit;
    return s;
}
static nrx_status adjoint(void *user, const void *y, void *x)
{
    nrx_status s = raw.adjoint(raw.user, y, x);
    size_t i;
    (void)user;
    for (i = 0; i < AREA; i++) ((float *)x)[i] *= (float)unit;
    return s;
}

/* Mean squared error of reconstructions from zero. */
static double loss(nrx_functional *f, double weight, double scale)
{
    nrx_net_recon_desc d = NRX_ZERO;
    static float x[AREA];
    double sum = 0;
    size_t k, i;
    d.max_iter = 300; d.tol = 1e-4; d.nonnegative = 1;
    CHECK(nrx_net_functional_rescale(f, weight, scale) == NRX_OK);
    for (k = 0; k < SLICES; k++) {
        memset(x, 0, sizeof x);
        CHECK(nrx_net_reconstruct(&op, data + k * DATA, f, x, &d, NULL) == NRX_OK);
        for (i = 0; i < AREA; i++) { double e = (double)x[i] - (double)truth[k * AREA + i]; sum += e * e / (SLICES * AREA); }
    }
    return sum;
}

int main(int argc, char **argv)
{
    static float images[PICS * TRAIN * TRAIN];
    nrx_ct_geometry g = nrx_ct_parallel(TRAIN, TRAIN, VIEWS, BINS), small = nrx_ct_parallel(N, N, VIEWS, BINS);
    double upper = 0, norm = 0;
    size_t k, i;
    int weak, level;
    for (k = 0; k < PICS; k++) CHECK(nrx_ct_phantom_textured(&g, 1, k, 0.04, images + k * TRAIN * TRAIN) == NRX_OK);
    CHECK(nrx_ct_linop(&small, &raw) == NRX_OK && nrx_ct_norm(&small, 30, &norm, &upper) == NRX_OK);
    unit = 1 / upper;
    op.apply = apply; op.adjoint = adjoint; op.rows = DATA; op.cols = AREA; op.dtype = NRX_F32; op.norm = 1;
    for (weak = 0; weak < 2; weak++)
        for (level = 0; level < 2; level++) {
            nrx_net *net = NULL, *back = NULL;
            nrx_net_train_desc td = NRX_ZERO;
            nrx_net_refit_desc d = NRX_ZERO;
            nrx_net_refit_info info;
            nrx_net_checkpoint *c = NULL;
            nrx_functional f;
            unsigned char *bytes = NULL;
            size_t size = 0;
            double coarse = HUGE_VAL, fine = HUGE_VAL, ca = 0, cs = 0, fa = 0, fs = 0, mine, w, s;
            int a, b;
            if (argc > 1 && atoi(argv[1]) != 2 * weak + level) continue; /* one of the four cases */
            td.steps = 1500;
            CHECK((weak ? nrx_net_wcrr(NULL, &net) : nrx_net_crr(NULL, &net)) == NRX_OK);
            CHECK(nrx_net_train_scores(net, images, PICS, TRAIN, TRAIN, &td, NULL) == NRX_OK);
            CHECK(nrx_net_save_bytes(net, NULL, 0, &bytes, &size) == NRX_OK && nrx_net_checkpoint_read(bytes, size, NULL, &c) == NRX_OK && nrx_net_load_checkpoint(c, NULL, &back) == NRX_OK);
            for (k = 0; k < SLICES; k++) {
                nrx_rng r;
                double mean = 0;
                CHECK(nrx_ct_phantom_textured(&small, 2, k, 0.04, truth + k * AREA) == NRX_OK && apply(NULL, truth + k * AREA, data + k * DATA) == NRX_OK);
                for (i = 0; i < DATA; i++) mean += fabs((double)data[k * DATA + i]) / DATA;
                nrx_rng_seed(&r, 3, k);
                for (i = 0; i < DATA; i++) data[k * DATA + i] += (float)((level ? 0.05 : 0.01) * mean * nrx_rng_normal(&r));
            }
            d.A = &op; d.count = SLICES; d.data = data; d.truth = truth; d.height = d.width = N; d.nonnegative = 1; d.weight = 0.05; d.scale = 1;
            CHECK(nrx_net_refit(back, &d, &info) == NRX_OK);
            nrx_net_scaling(back, &w, &s);
            CHECK(w == info.weight && s == info.scale);
            CHECK(nrx_net_functional(back, N, N, NULL, &f) == NRX_OK);
            mine = loss(&f, info.weight, info.scale);
            for (a = -5; a <= 5; a++) for (b = -3; b <= 3; b++) {
                double v = loss(&f, 0.05 * pow(2, a), pow(2, b));
                if (v < coarse) { coarse = v; ca = a; cs = b; }
            }
            for (a = -8; a <= 8; a++) for (b = -8; b <= 8; b++) {
                double v = loss(&f, 0.05 * pow(2, ca + a / 8.0), pow(2, cs + b / 8.0));
                if (v < fine) { fine = v; fa = ca + a / 8.0; fs = cs + b / 8.0; }
            }
            printf("%s, noise %g %%: refit %.6g at (%.4g, %.4g) after %lu tries; fine grid %.6g at (%.4g, %.4g); ratio %.4f%s\n", weak ? "WCRR" : "CRR", level ? 5.0 : 1.0, mine,
                   info.weight, info.scale, (unsigned long)info.evaluations, fine, 0.05 * pow(2, fa), pow(2, fs), mine / fine, info.at_edge ? ", at the edge" : "");
            fflush(stdout);
            CHECK(mine <= 1.01 * fine);
            nrx_net_functional_free(&f);
            nrx_net_checkpoint_free(c);
            nrx_net_free_bytes(net, bytes);
            nrx_net_free(net);
            nrx_net_free(back);
        }
    nrx_ct_linop_free(&raw);
    return nrx_test_end();
}
