/* compose_ct_freon.c - four headers in one program: the projector of nrx_ct.h and networks of one's own from nrx_nets.h stand in the tape of
   nrx_tensor.h, and all is trained end to end by Freon of nrx_optim.h. They meet in nrx_linop and nrx_param, nothing else.
   SPDX-License-Identifier: MIT-0 OR Unlicense

   cc -O2 examples/compose_ct_freon.c -o compose_ct_freon -lm && ./compose_ct_freon     (writes compose_ct_freon.png)

   A learned gradient scheme of three steps from filtered back projection: x <- x - t_k A^T(Ax - y) - N_k(x), with step sizes t_k (tensors) and
   small networks N_k (nrx_nets). The derivative of the loss in one weight is compared with differences first. */
#define NRX_VERBOSE
#define NRX_IMPLEMENTATION
#include "../nrx_ct.h"
#include "../nrx_nets.h"
#include "../nrx_optim.h"
#include "../nrx_tensor.h"
#include "draw.h"
// expect: derivative .* agree
// expect: FBP +[0-9.]+ dB
// expect: trained .*better on 8 of 8

enum { SIDE = 64, VIEWS = 30, BINS = 91, PIXELS = SIDE * SIDE, RAYS = VIEWS * BINS, UNROLLED = 3, STEPS = 400, TESTS = 8 };
typedef nrx_tensor T;

typedef struct { nrx_net *net; nrx_net_plan *plan; } block;
static block blocks[UNROLLED];
static T *step_size[UNROLLED];
static nrx_ct_geometry g;
static nrx_linop A, At;

/* A network of one's own: three convolutions, node by node. */
static nrx_status make_block(block *b, uint64_t seed)
{
    nrx_net_desc nd = NRX_ZERO;
    nrx_net_conv_desc cd = NRX_ZERO;
    nrx_net_plan_desc pd = NRX_ZERO;
    nrx_status status;
    int x;
    nd.channels = 1;
    nd.seed = seed;
    status = nrx_net_create(&nd, &b->net);
    if (status != NRX_OK) return status;
    cd.channels = 12;
    cd.kernel = 3;
    x = nrx_net_activation(b->net, nrx_net_conv2d(b->net, 0, &cd), NRX_NET_LEAKY_RELU, 0.1, 0);
    x = nrx_net_activation(b->net, nrx_net_conv2d(b->net, x, &cd), NRX_NET_LEAKY_RELU, 0.1, 0);
    cd.channels = 1;
    nrx_net_output(b->net, nrx_net_scale(b->net, nrx_net_conv2d(b->net, x, &cd), 0.1));
    pd.height = pd.width = SIDE;
    pd.mode = NRX_NET_GRADIENT;
    return nrx_net_plan_create(b->net, &pd, &b->plan);
}

/* The block as an operation on the tape: its gradient in x goes on along the tape, that in its weights into the network's own block. */
static T *block_forward(void *user, T *const *x, size_t n)
{
    T *y = nrx_t_empty(x[0]->scope, NRX_F32, nrx_t_shape(x[0]));
    (void)n;
    return y && nrx_net_forward(((block *)user)->plan, (const float *)x[0]->data, (float *)y->data) == NRX_OK ? y : NULL;
}

static nrx_status block_backward(void *user, T *const *x, size_t n, T *y, T *gy, T **gx)
{
    block *b = (block *)user;
    T *whole = nrx_t_contiguous(gy);
    (void)n; (void)y;
    gx[0] = nrx_t_empty(x[0]->scope, NRX_F32, nrx_t_shape(x[0]));
    if (!whole || !gx[0]) return NRX_E_NOMEM;
    return nrx_net_backward(b->plan, (const float *)whole->data, (float *)gx[0]->data, nrx_net_grad(b->net));
}

static T *reconstruct(T *y, T *x)
{
    int k;
    for (k = 0; k < UNROLLED; k++) {
        nrx_t_custom_op op = NRX_ZERO;
        T *residual = nrx_t_sub(nrx_t_linop(&A, x), y), *gradient = nrx_t_scale(nrx_t_linop(&At, residual), 1 / (A.norm * A.norm));
        op.name = "block";
        op.forward = block_forward;
        op.backward = block_backward;
        op.user = &blocks[k];
        x = nrx_t_sub(nrx_t_sub(x, nrx_t_mul(step_size[k], gradient)), nrx_t_custom(&op, &x, 1));
    }
    return x;
}

/* Phantom `index` of a seed: image, noisy data and FBP as tensors of the current level of the scope. */
static nrx_status sample(nrx_scope *s, uint64_t seed, uint64_t index, T **truth, T **y, T **start)
{
    nrx_status status = NRX_E_NOMEM;
    *truth = nrx_t_empty(s, NRX_F32, nrx_s1(PIXELS));
    *y = nrx_t_empty(s, NRX_F32, nrx_s1(RAYS));
    *start = nrx_t_empty(s, NRX_F32, nrx_s1(PIXELS));
    if (*truth && *y && *start) status = nrx_ct_phantom_textured(&g, seed, index, 0.05, (*truth)->data);
    if (status == NRX_OK) status = nrx_ct_project(&g, (*truth)->data, (*y)->data);
    if (status == NRX_OK) status = nrx_ct_add_gaussian_noise(RAYS, NRX_F32, (*y)->data, 0.03, 1, seed * 100003 + index);
    if (status == NRX_OK) status = nrx_ct_fbp(&g, (*y)->data, (*start)->data, NULL);
    if (status == NRX_OK) nrx_t_require_grad(*start, 1); /* an operation on constants would not be recorded: the tape must reach the first block */
    return status;
}

static double loss_at(nrx_scope *s, T *truth, T *y, T *start)
{
    double value;
    nrx_t_begin(s);
    value = nrx_t_item(nrx_t_mse(reconstruct(y, start), truth));
    nrx_t_end(s, NULL);
    return value;
}

/* d loss / d (one weight of the first block): by the tape through projector and networks, and by differences. */
static int check_derivative(nrx_scope *s, T *truth, T *y, T *start)
{
    nrx_net *net = blocks[0].net;
    float *w = nrx_net_weights(net), old;
    double tape, plus, minus, h = 0.02;
    size_t i, at = 0;
    nrx_net_zero_grad(net);
    nrx_t_begin(s);
    if (nrx_t_backward(nrx_t_mse(reconstruct(y, start), truth), 0) != NRX_OK) return 0;
    nrx_t_end(s, NULL);
    for (i = 0; i < nrx_net_param_count(net); i++) /* the weight that matters most */
        if (fabsf(nrx_net_grad(net)[i]) > fabsf(nrx_net_grad(net)[at])) at = i;
    tape = (double)nrx_net_grad(net)[at];
    old = w[at];
    w[at] = old + (float)h;
    plus = loss_at(s, truth, y, start);
    w[at] = old - (float)h;
    minus = loss_at(s, truth, y, start);
    w[at] = old;
    printf("derivative in one weight: tape %.5g, differences %.5g: they %s\n", tape, (plus - minus) / (2 * h),
           tape != 0 && fabs(tape - (plus - minus) / (2 * h)) < 0.02 * fabs(tape) ? "agree" : "differ");
    return 1;
}

int main(void)
{
    nrx_scope *s = nrx_t_scope_open(NULL);
    nrx_param params[64];
    nrx_opt_desc desc = NRX_ZERO;
    nrx_opt opt;
    draw_bar bar = {"training", 0, 0};
    draw_canvas c = draw_new(3 * (2 * SIDE + 8) + 8, 2 * SIDE + 30, 0xffffff);
    T *truth, *y, *start;
    size_t count = 0;
    double psnr[2], mean[2] = {0, 0};
    int k, step, better = 0;
    g = nrx_ct_parallel(SIDE, SIDE, VIEWS, BINS);
    if (!s || nrx_ct_linop(&g, &A) != NRX_OK) return 1;
    At = A; /* the transposed operator: the two functions exchanged */
    At.apply = A.adjoint;
    At.adjoint = A.apply;
    At.rows = A.cols;
    At.cols = A.rows;
    for (k = 0; k < UNROLLED; k++) {
        if (make_block(&blocks[k], (uint64_t)k + 1) != NRX_OK) return 1;
        count += nrx_net_params(blocks[k].net, params + count, 64 - count);
        step_size[k] = nrx_t_require_grad(nrx_t_full(s, NRX_F32, nrx_s1(1), 0.5), 1);
    }
    if (nrx_t_params(step_size, UNROLLED, params + count) != NRX_OK) return 1; /* tensors and networks in one list */
    count += UNROLLED;
    nrx_t_begin(s);
    if (sample(s, 1, 999999, &truth, &y, &start) != NRX_OK || !check_derivative(s, truth, y, start)) return 1;
    nrx_t_end(s, NULL);

    desc.kind = NRX_OPT_FREON; /* kernels as matrices out x in*3*3; biases and step sizes go to AdamW inside */
    desc.lr = 0.02;
    desc.aux_lr = 3e-3;
    desc.schedule.kind = NRX_SCHEDULE_COSINE;
    desc.schedule.total = STEPS;
    if (nrx_opt_init(&opt, params, count, &desc) != NRX_OK) return 1;
    for (step = 0; step < STEPS; step++) {
        double value;
        T *loss;
        nrx_t_begin(s);
        if (sample(s, 1, (uint64_t)step, &truth, &y, &start) != NRX_OK) return 1;
        loss = nrx_t_mse(reconstruct(y, start), truth);
        value = nrx_t_item(loss);
        for (k = 0; k < UNROLLED; k++) nrx_net_zero_grad(blocks[k].net);
        nrx_t_zero_grad(step_size, UNROLLED);
        if (nrx_t_backward(loss, 0) != NRX_OK || nrx_opt_step(&opt) != NRX_OK) return 1;
        for (k = 0; k < UNROLLED; k++) nrx_t_touch(step_size[k]); /* changed behind the tape's back */
        nrx_t_end(s, NULL);
        draw_progress(&bar, (size_t)step + 1, STEPS, -10 * log10(value));
    }

    nrx_t_no_grad(s, 1);
    for (k = 0; k < TESTS; k++) { /* phantoms of another seed */
        T *x;
        nrx_t_begin(s);
        if (sample(s, 2, (uint64_t)k, &truth, &y, &start) != NRX_OK) return 1;
        x = reconstruct(y, start);
        if (!x || nrx_ct_psnr(PIXELS, NRX_F32, start->data, truth->data, 0, NULL, &psnr[0]) != NRX_OK
            || nrx_ct_psnr(PIXELS, NRX_F32, x->data, truth->data, 0, NULL, &psnr[1]) != NRX_OK) return 1;
        mean[0] += psnr[0] / TESTS;
        mean[1] += psnr[1] / TESTS;
        better += psnr[1] > psnr[0];
        if (k == 0) {
            const char *name[3] = {"FBP", "trained", "truth"};
            T *shown[3];
            int i;
            shown[0] = start; shown[1] = x; shown[2] = truth;
            for (i = 0; i < 3; i++) {
                draw_image(&c, 8 + i * (2 * SIDE + 8), 8, 2, (const float *)shown[i]->data, SIDE, SIDE, 0, 1, DRAW_GRAY);
                draw_text(&c, 8 + i * (2 * SIDE + 8), 2 * SIDE + 14, 1, 0, name[i]);
            }
        }
        nrx_t_end(s, NULL);
    }
    printf("FBP      %.2f dB, mean of %d new phantoms\n", mean[0], TESTS);
    printf("trained  %.2f dB by Freon in %d steps, better on %d of %d; steps", mean[1], STEPS, better, TESTS);
    for (k = 0; k < UNROLLED; k++) printf(" %.2f", nrx_t_item(step_size[k]));
    printf("\n");
    if (!draw_save(&c, "compose_ct_freon.png")) return 1;
    draw_free(&c);
    nrx_opt_drop(&opt);
    for (k = 0; k < UNROLLED; k++) { nrx_net_plan_free(blocks[k].plan); nrx_net_free(blocks[k].net); }
    nrx_ct_linop_free(&A);
    nrx_t_scope_close(s);
    return 0;
}
