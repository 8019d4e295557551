/* cc -O2 examples/nets_primal_dual.c -o nets_primal_dual -lm && ./nets_primal_dual
   SPDX-License-Identifier: MIT-0 OR Unlicense
   Learned primal-dual for sparse-view tomography: the projector is a layer of the network, which is trained end to end on generated phantoms, with
   validation and early stop. A new phantom is reconstructed and compared with filtered back projection. Writes nets_primal_dual.png.
// expect: learned primal-dual: smallest validation error
// expect: learned primal-dual .*dB
*/
#define NRX_VERBOSE
#define NRX_CT_IMPLEMENTATION
#include "../nrx_ct.h"
#define NRX_NETS_IMPLEMENTATION
#include "../nrx_nets.h"
#include "draw.h"

enum { N = 32, AREA = N * N, VIEWS = 16, BINS = 47, DATA = VIEWS * BINS };
static nrx_ct_geometry geometry;
static nrx_linop raw, op, inverse; /* the projector, the same with norm one, and filtered back projection of that one's data */
static double unit;

static nrx_status apply(void *user, const void *x, void *y)
{
    nrx_status s = raw.apply(raw.user, x, y);
    int i;
    (void)user;
    for (i = 0; i < DATA; i++) ((float *)y)[i] *= (float)unit;
    return s;
}
static nrx_status adjoint(void *user, const void *y, void *x)
{
    nrx_status s = raw.adjoint(raw.user, y, x);
    int i;
    (void)user;
    for (i = 0; i < AREA; i++) ((float *)x)[i] *= (float)unit;
    return s;
}
static nrx_status fbp(void *user, const void *y, void *x)
{
    float full[DATA];
    int i;
    (void)user;
    for (i = 0; i < DATA; i++) full[i] = ((const float *)y)[i] / (float)unit;
    return nrx_ct_fbp(&geometry, full, x, NULL);
}
/* Its adjoint is never needed: no layer with weights stands before it. */
static nrx_status no_adjoint(void *user, const void *x, void *y) { (void)user; (void)x; memset(y, 0, DATA * sizeof(float)); return NRX_OK; }

static nrx_status scan(nrx_rng *rng, float *truth, float *data)
{
    double mean = 0;
    int i;
    nrx_status s = nrx_ct_phantom_textured(&geometry, nrx_rng_u32(rng), 0, 0.04, truth);
    if (s == NRX_OK) s = apply(NULL, truth, data);
    for (i = 0; i < DATA; i++) mean += fabs((double)data[i]) / DATA;
    for (i = 0; i < DATA; i++) data[i] += (float)(0.03 * mean * nrx_rng_normal(rng));
    return s;
}

static nrx_status data_pairs(void *user, nrx_rng *rng, size_t n, float *clean, float *noisy)
{
    size_t i;
    nrx_status s = NRX_OK;
    (void)user;
    for (i = 0; s == NRX_OK && i < n; i++) s = scan(rng, clean + i * AREA, noisy + i * DATA);
    return s;
}

static double psnr(const float *a, const float *b)
{
    double e = 0;
    int i;
    for (i = 0; i < AREA; i++) e += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]) / AREA;
    return -10 * log10(e);
}

int main(void)
{
    static const char *const names[3] = {"truth", "FBP", "learned primal-dual"};
    static float out[3][AREA], data[DATA];
    nrx_net *net = NULL;
    nrx_net_unrolled_desc u = NRX_ZERO;
    nrx_net_train_desc t = NRX_ZERO;
    nrx_net_train_info info;
    nrx_net_data validation = NRX_ZERO;
    nrx_net_plan_desc pd = NRX_ZERO;
    nrx_net_plan *plan;
    nrx_rng rng;
    double norm, upper;
    draw_canvas c;
    int m;
    geometry = nrx_ct_parallel(N, N, VIEWS, BINS);
    if (nrx_ct_linop(&geometry, &raw) != NRX_OK || nrx_ct_norm(&geometry, 30, &norm, &upper) != NRX_OK) return 1;
    unit = 1 / upper;
    op.apply = apply; op.adjoint = adjoint; op.rows = DATA; op.cols = AREA; op.dtype = NRX_F32; op.norm = 1;
    inverse.apply = fbp; inverse.adjoint = no_adjoint; inverse.rows = AREA; inverse.cols = DATA; inverse.dtype = NRX_F32;
    nrx_rng_seed(&rng, 77, 1);
    if (scan(&rng, out[0], data) != NRX_OK || fbp(NULL, data, out[1]) != NRX_OK) return 1;
    u.op = &op; u.inverse = &inverse; u.height = u.width = N; u.data_height = VIEWS; u.data_width = BINS; u.iterations = 3; u.channels = 10; u.memory = 3;
    if (nrx_net_lpd(&u, &net) != NRX_OK) return 1;
    validation.pairs = data_pairs;
    t.predict = NRX_NET_PREDICT_OUTPUT; t.data.pairs = data_pairs; t.height = VIEWS; t.width = BINS; t.steps = 500; t.batch = 2; t.clip = 1; t.seed = 6;
    t.validation = &validation; t.validate_every = 50; t.patience = 4;
    if (nrx_net_train(net, &t, &info) != NRX_OK) return 1;
    printf("learned primal-dual: smallest validation error %.2g after %lu of %lu steps%s\n", info.best, (unsigned long)info.best_step, (unsigned long)info.steps, info.early ? ", stopped early" : "");
    pd.height = VIEWS; pd.width = BINS;
    if (nrx_net_plan_create(net, &pd, &plan) != NRX_OK || nrx_net_forward(plan, data, out[2]) != NRX_OK) return 1;
    nrx_net_plan_free(plan);
    nrx_net_free(net);
    c = draw_new(10 + 3 * (4 * N + 10), 4 * N + 40, 0xffffff);
    for (m = 0; m < 3; m++) {
        char text[64];
        sprintf(text, m ? "%s %.1f dB" : "%s", m == 2 ? "LPD" : names[m], psnr(out[m], out[0]));
        if (m) printf("%s %.2f dB\n", names[m], psnr(out[m], out[0]));
        draw_text(&c, 10 + m * (4 * N + 10), 10, 1, 0, text);
        draw_image(&c, 10 + m * (4 * N + 10), 30, 4, out[m], N, N, 0, 1, DRAW_GRAY);
    }
    if (!draw_save(&c, "nets_primal_dual.png")) return 1;
    draw_free(&c);
    nrx_ct_linop_free(&raw);
    return 0;
}
