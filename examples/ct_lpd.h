/* ct_lpd.h - the learned primal-dual network of ct_train.c and ct_learned.c: one builder, so that training and use cannot differ
   SPDX-License-Identifier: MIT-0 OR Unlicense

   Adler and Oktem, "Learned primal-dual reconstruction", IEEE TMI 2018: 5 iterations, 3 x 3 convolutions, here 10 channels wide with 4 memory
   channels, from filtered back projection. The projector stands in the network divided by its norm, so the same weights serve any geometry;
   how well is another matter, which depends on the geometries of the training. Images are in units in which tissue is about 1 (`grey`). */
#ifndef CT_LPD_H
#define CT_LPD_H
#include "../nrx_ct.h"
#include "../nrx_nets.h"
#include <stdlib.h>

typedef struct {
    nrx_ct_geometry g;
    nrx_linop A, fbp;
    nrx_net *net;
} ct_lpd;

static nrx_status ct_lpd_fbp(void *user, const void *sino, void *image)
{
    return nrx_ct_fbp((const nrx_ct_geometry *)user, sino, image, NULL);
}

/* Derivatives with respect to the data are asked for by nobody here: the start counts as constant. */
static nrx_status ct_lpd_no_derivative(void *user, const void *image, void *sino)
{
    (void)image;
    memset(sino, 0, nrx_ct_sino_size((const nrx_ct_geometry *)user) * sizeof(float));
    return NRX_OK;
}

static void ct_lpd_close(ct_lpd *p)
{
    nrx_net_free(p->net);
    if (p->A.apply) nrx_ct_linop_free(&p->A);
    memset(p, 0, sizeof *p);
}

enum { CT_LPD_ITERATIONS = 5, CT_LPD_CHANNELS = 10, CT_LPD_MEMORY = 4 };

/* In one update block (three 3 x 3 convolutions with leaky ReLUs of slope 0.1 between) two of the channels carry t and -t, t = sum of
   mix[i] input[i], through to `outputs` of the outputs: lrelu(t) - lrelu(-t) = 1.1 t. */
static void ct_lpd_carry(const nrx_param *conv, const float *mix, size_t inputs, size_t outputs)
{
    float *w1 = (float *)conv[0].value, *w2 = (float *)conv[2].value, *w3 = (float *)conv[4].value;
    size_t i, k, sign;
    for (i = 0; i < CT_LPD_MEMORY * CT_LPD_CHANNELS * 9; i++) w3[i] *= 0.1f; /* the other channels whisper at first */
    memset(w1, 0, 2 * inputs * 9 * sizeof *w1);
    memset(w2, 0, 2 * CT_LPD_CHANNELS * 9 * sizeof *w2);
    for (sign = 0; sign < 2; sign++) {
        for (i = 0; i < inputs; i++) w1[(sign * inputs + i) * 9 + 4] = sign ? -mix[i] : mix[i];
        for (i = 0; i < 2; i++) w2[(sign * CT_LPD_CHANNELS + i) * 9 + 4] = (sign == i ? 1 : -1) / 1.1f;
        for (k = 0; k < CT_LPD_MEMORY; k++) {
            memset(w3 + (k * CT_LPD_CHANNELS + sign) * 9, 0, 9 * sizeof *w3);
            w3[(k * CT_LPD_CHANNELS + sign) * 9 + 4] = k < outputs ? (sign ? -1 : 1) / 1.1f : 0.0f;
        }
    }
}

/* Fresh weights that begin as gradient descent on |Ax - y|^2/2: dual channel 0 becomes y - Ax, A^T of it is added to every primal channel. */
static void ct_lpd_begin(nrx_net *net)
{
    static const float dual[CT_LPD_MEMORY + 2] = {-1, 0, 0, 0, -1, 1}, primal[CT_LPD_MEMORY + 1] = {0, 0, 0, 0, 1}; /* h, Ax, y; x, A^T h */
    nrx_param p[80];
    size_t n = nrx_net_params(net, p, 80), i;
    for (i = 4; i + 12 <= n && n <= 80; i += 12) { /* after two 1 x 1 convolutions: weight and bias of 3 + 3 convolutions per iteration */
        ct_lpd_carry(p + i, dual, CT_LPD_MEMORY + 2, 1);
        ct_lpd_carry(p + i + 6, primal, CT_LPD_MEMORY + 1, CT_LPD_MEMORY);
    }
}

/* The network for one geometry, with fresh weights. p must not move afterwards; the angles of g must stay. */
static nrx_status ct_lpd_open(ct_lpd *p, const nrx_ct_geometry *g, uint64_t seed)
{
    nrx_net_unrolled_desc d = NRX_ZERO;
    nrx_status status;
    memset(p, 0, sizeof *p);
    p->g = *g;
    status = nrx_ct_linop(&p->g, &p->A);
    if (status != NRX_OK) { memset(&p->A, 0, sizeof p->A); return status; }
    status = nrx_ct_norm(&p->g, 5, NULL, &d.scale);
    d.scale = 1.0 / d.scale;
    p->fbp.apply = ct_lpd_fbp;
    p->fbp.adjoint = ct_lpd_no_derivative;
    p->fbp.user = &p->g;
    p->fbp.rows = p->A.cols;
    p->fbp.cols = p->A.rows;
    p->fbp.dtype = NRX_F32;
    d.op = &p->A;
    d.inverse = &p->fbp;
    d.height = g->rows;
    d.width = g->cols;
    d.data_height = g->views;
    d.data_width = g->bins;
    d.iterations = CT_LPD_ITERATIONS;
    d.channels = CT_LPD_CHANNELS;
    d.memory = CT_LPD_MEMORY;
    d.seed = seed;
    if (status == NRX_OK) status = nrx_net_lpd(&d, &p->net);
    if (status == NRX_OK) ct_lpd_begin(p->net);
    else ct_lpd_close(p);
    return status;
}

/* The grey value below which 99.5 % of the pixels of an image lie: what images are divided by before they meet weights trained on [0, 1]. */
static int ct_compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double ct_percentile(const float *image, size_t n, double part)
{
    float *sorted = (float *)malloc(n * sizeof *sorted);
    double v;
    if (!sorted) return 1;
    memcpy(sorted, image, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, ct_compare_floats);
    v = (double)sorted[(size_t)(part * (double)(n - 1))];
    free(sorted);
    return v > 0 ? v : 1;
}

#endif
