/* ct_web.c - the WebAssembly side of index.html: a scan over part of the half circle, reconstructed three ways
   SPDX-License-Identifier: MIT-0 OR Unlicense

   Built by build.sh into ct_web.js, one file that works from a folder without a server. */
#include <emscripten.h>
#define NRX_VERBOSE
#define NRX_IMPLEMENTATION
#include "../../nrx_ct.h"
#include "../../nrx_nets.h"
#include "../ct_weights_crr.inc"

enum { SIDE = 96, BINS = 137, MOST_VIEWS = 60, TRUTH = 0, FBP, TV, LEARNED, IMAGES };

static float image[IMAGES][SIDE * SIDE], sino[MOST_VIEWS * BINS];
static nrx_ct_geometry g;
static nrx_net *net;
static nrx_functional prior;
static double norm2;

/* 0 when the weights could be read; they come with the program. */
EMSCRIPTEN_KEEPALIVE int web_start(void)
{
    nrx_net_checkpoint *c = NULL;
    nrx_status status = nrx_net_checkpoint_read(ct_weights_crr, sizeof ct_weights_crr, NULL, &c);
    if (status == NRX_OK) status = nrx_net_load_checkpoint(c, NULL, &net);
    nrx_net_checkpoint_free(c);
    if (status == NRX_OK) status = nrx_net_functional(net, SIDE, SIDE, NULL, &prior);
    return status;
}

EMSCRIPTEN_KEEPALIVE const char *web_certificate(void)
{
    static nrx_net_report report;
    return nrx_net_certify(net, SIDE, SIDE, &report) == NRX_OK ? report.text : "";
}

/* A phantom seen from `degrees` of the half circle, a view every three degrees, with noise relative to the mean of the data. */
EMSCRIPTEN_KEEPALIVE int web_scan(double degrees, double noise, int phantom)
{
    size_t views = (size_t)(degrees / 3 + 0.5);
    double upper = 0;
    nrx_status status;
    if (views < 2) views = 2;
    if (views > MOST_VIEWS) views = MOST_VIEWS;
    g = nrx_ct_parallel(SIDE, SIDE, views, BINS);
    g.step = NRX_PI / 60;
    g.start = -0.5 * g.step * (double)(views - 1);
    status = nrx_ct_phantom_textured(&g, 2026, (uint64_t)phantom, 0.05, image[TRUTH]);
    if (status == NRX_OK) status = nrx_ct_project(&g, image[TRUTH], sino);
    if (status == NRX_OK && noise > 0) status = nrx_ct_add_gaussian_noise(nrx_ct_sino_size(&g), NRX_F32, sino, noise, 1, 7);
    if (status == NRX_OK) status = nrx_ct_norm(&g, 5, NULL, &upper);
    norm2 = upper * upper;
    return status;
}

EMSCRIPTEN_KEEPALIVE int web_fbp(void) { return nrx_ct_fbp(&g, sino, image[FBP], NULL); }

EMSCRIPTEN_KEEPALIVE int web_tv(void)
{
    nrx_ct_solver d = NRX_ZERO;
    d.lambda = norm2 / 1024; /* as the main job's held-out views chose it at 3 % noise */
    d.box = NRX_CT_LOWER;
    d.iterations = 150;
    return nrx_ct_tv(&g, sino, image[TV], &d);
}

/* Some iterations of the convex learned regularizer, from zero or from where the last call stopped. */
EMSCRIPTEN_KEEPALIVE int web_learned(int iterations, int from_zero)
{
    nrx_ct_solver d = NRX_ZERO;
    nrx_status status = nrx_net_functional_rescale(&prior, norm2 / 32, 1);
    d.lambda = 1;
    d.box = NRX_CT_LOWER;
    d.iterations = iterations;
    d.warm_start = !from_zero;
    return status == NRX_OK ? nrx_ct_variational(&g, sino, &prior, image[LEARNED], &d) : status;
}

EMSCRIPTEN_KEEPALIVE int web_side(void) { return SIDE; }
EMSCRIPTEN_KEEPALIVE int web_views(void) { return (int)g.views; }
EMSCRIPTEN_KEEPALIVE const float *web_image(int which) { return image[which]; }
EMSCRIPTEN_KEEPALIVE double web_psnr(int which)
{
    double psnr = 0;
    return nrx_ct_psnr(SIDE * SIDE, NRX_F32, image[which], image[TRUTH], 0, NULL, &psnr) == NRX_OK ? psnr : 0;
}
