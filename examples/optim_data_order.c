/* optim_data_order.c - what the order of the data alone does to training, and how to notice
   SPDX-License-Identifier: MIT-0 OR Unlicense

   cc -O2 examples/optim_data_order.c -o optim_data_order -lm && ./optim_data_order

   A small classifier (2-16-1, tanh) is trained by SGD with momentum, one pass of honest order, then epochs whose points are ordered by the
   losses of that pass (Shumailov et al. 2021). Nothing is added to or removed from the data. Prints the accuracy at the end of each epoch and what
   the auditor says about each logged order; draws optim_data_order.png. */
#define NRX_VERBOSE
#define NRX_OPTIM_IMPLEMENTATION
#include "../nrx_optim.h"
#include "draw.h"

enum { N = 1000, H = 16, BATCH = 10, EPOCHS = 8, POLICIES = 5, SIZE = 4 * H + 1 };

static double point[N][2], want[N], weight[SIZE], grad[SIZE];

static void make_data(void)
{
    nrx_rng r;
    int i;
    nrx_rng_seed(&r, 3, 0);
    for (i = 0; i < N; i++) {
        double a = 6.2831853 * nrx_rng_uniform(&r), in = i % 2;
        double radius = (in ? 0.6 : 1.3) + 0.22 * nrx_rng_normal(&r);
        point[i][0] = radius * cos(a);
        point[i][1] = radius * sin(a);
        want[i] = in;
    }
}

/* Loss of one point; adds its gradient times scale when scale is not 0. w: 2H inputs, H biases, H outputs, 1 bias. */
static double one(int i, double scale, int *right)
{
    double a[H], z = weight[4 * H], p, e;
    int j;
    for (j = 0; j < H; j++) {
        a[j] = tanh(weight[2 * j] * point[i][0] + weight[2 * j + 1] * point[i][1] + weight[2 * H + j]);
        z += weight[3 * H + j] * a[j];
    }
    p = 1 / (1 + exp(-z));
    if (right) *right = (z > 0) == (want[i] > 0.5);
    e = scale * (p - want[i]);
    if (scale != 0)
        for (j = 0; j < H; j++) {
            double d = e * weight[3 * H + j] * (1 - a[j] * a[j]);
            grad[2 * j] += d * point[i][0];
            grad[2 * j + 1] += d * point[i][1];
            grad[2 * H + j] += d;
            grad[3 * H + j] += e * a[j];
        }
    grad[4 * H] += e;
    return want[i] > 0.5 ? log1p(exp(-z)) : log1p(exp(z));
}

int main(void)
{
    static const char *name[POLICIES] = {"uniform", "low to high", "high to low", "oscillating inward", "oscillating outward"};
    static double loss[N], accuracy[POLICIES][EPOCHS + 1], epoch_axis[EPOCHS + 1];
    static size_t order[N];
    draw_canvas c = draw_new(640, 400, 0xffffff);
    draw_plot plot;
    int policy, epoch, i, b, right, total;
    make_data();
    printf("%-20s %-10s %-10s %-18s %s\n", "order", "accuracy", "worst", "audit: largest |z|", "replay of the committed seed");
    for (policy = 0; policy < POLICIES; policy++) {
        nrx_param p = NRX_ZERO;
        nrx_opt opt;
        nrx_opt_desc d = NRX_ZERO;
        nrx_opt_audit audit = NRX_ZERO;
        nrx_rng r;
        uint64_t committed = 5;
        double worst = 1, last = 0;
        nrx_rng_seed(&r, 1, 0);
        for (i = 0; i < SIZE; i++) weight[i] = 0.7 * nrx_rng_normal(&r);
        p.name = "weights"; p.value = weight; p.grad = grad; p.rows = 1; p.cols = SIZE; p.dtype = NRX_F64;
        d.kind = NRX_OPT_SGD; d.lr = 0.1; d.momentum = 0.9;
        if (nrx_opt_init(&opt, &p, 1, &d) != NRX_OK) return 1;
        for (epoch = 0; epoch <= EPOCHS; epoch++) {
            int use = epoch == 0 ? NRX_ORDER_UNIFORM : policy; /* the first epoch is honest: the attacker only watches */
            nrx_opt_sample(use, NRX_ATTACK_RESHUFFLE, N, BATCH, loss, committed, (uint64_t)epoch, order, NULL);
            if (epoch > 0) nrx_opt_audit_order(N, BATCH, order, loss, &committed, (uint64_t)epoch, &audit, NULL);
            for (b = 0; b < N; b += BATCH) {
                memset(grad, 0, sizeof grad);
                for (i = 0; i < BATCH; i++) loss[order[b + i]] = one((int)order[b + i], 1.0 / BATCH, NULL);
                nrx_opt_step(&opt);
            }
            for (total = 0, i = 0; i < N; i++) { loss[i] = one(i, 0, &right); total += right; }
            last = accuracy[policy][epoch] = (double)total / N;
            epoch_axis[epoch] = epoch;
            if (epoch > 0 && last < worst) worst = last;
        }
        printf("%-20s %-10.3f %-10.3f %-18.1f %s\n", name[policy], last, worst, audit.worst, audit.replay ? "same" : "different");
        nrx_opt_drop(&opt);
    }
    plot = draw_axes(&c, 10, 10, 620, 380, 0, EPOCHS, 0.3, 1, DRAW_LINEAR, "accuracy after epochs in each order (the same points)", "epoch", "accuracy");
    for (policy = 0; policy < POLICIES; policy++) draw_curve(&plot, EPOCHS + 1, epoch_axis, accuracy[policy], draw_palette[policy], name[policy]);
    draw_save(&c, "optim_data_order.png");
    draw_free(&c);
    return 0;
}
// expect: ^uniform +0\.9
// expect: ^oscillating inward .*different
