/* compose_all.c - the six headers in one program: a moving object, found by its dynamics and seen by a scanner
   SPDX-License-Identifier: MIT-0 OR Unlicense

   cc -O2 examples/compose_all.c -o compose_all -lm && ./compose_all     (writes compose_all.png)

   1  A marker on the object is measured with 1 % noise. nrx_dynsys.h discovers its equations, and audits the discovery: an oscillator
      is not discoverable from one orbit, because its energy is conserved. The motion on this orbit is all that is used below.
   2  nrx_symplectic.h learns the flow from the same noisy samples and predicts the motion after the marker is gone.
   3  nrx_ct.h scans the moving object: each view sees it somewhere else. In the object's own frame the detector moves instead.
   4  nrx_nets.h has a convex ridge regularizer, which Freon of nrx_optim.h trains by denoising.
   5  nrx_tensor.h checks the gradient of the data term: its tape goes through the projector, differences do not.
   6  The object is reconstructed at rest, with predicted motion and learned regularizer; and, for comparison, without either. */
#define NRX_VERBOSE
#define NRX_IMPLEMENTATION
#include "../nrx_ct.h"
#include "../nrx_dynsys.h"
#include "../nrx_nets.h"
#include "../nrx_optim.h"
#include "../nrx_symplectic.h"
#include "../nrx_tensor.h"
#include "draw.h"
// expect: audit: obstructed, first integral
// expect: prediction error over the scan at most 0\.[0-4]
// expect: derivative .* agree
// expect: still, learned.* each better than the one before

enum { SIDE = 64, VIEWS = 90, BINS = 109, PIXELS = SIDE * SIDE, RAYS = VIEWS * BINS, SAMPLES = 2000, ROWS = 4000, CROPS = 8, STEPS = 300 };
static const double omega = 1.3, dt = 0.01, scan_time = 12, amplitude = 6; /* amplitude in pixels; the marker's unit is one amplitude */

static double marker[SAMPLES][2];
static nrx_ct_view moving[VIEWS], predicted[VIEWS];

/* ---- 1: equations and their audit ---- */
static int discover(void)
{
    static const char *const names[2] = {"q", "p"};
    char text[600];
    nrx_dyn_data data;
    nrx_dyn_sindy_desc d = NRX_ZERO;
    nrx_dyn_audit_desc a = NRX_ZERO;
    nrx_dyn_audit_report *r;
    nrx_dyn_model *m;
    memset(&data, 0, sizeof data);
    data.n = SAMPLES; data.d = 2; data.x = marker[0]; data.dt = dt;
    d.library.degree = 2;
    d.weak_half = 100;
    d.names = names;
    if (nrx_dyn_sindy(&data, &d, &m) != NRX_OK) return 0;
    nrx_dyn_model_print(m, 3, 1, text, sizeof text);
    printf("discovered from %d samples with 1 %% noise (truth: p and -%.2f q):\n%s", SAMPLES, omega * omega, text);
    nrx_dyn_model_free(m);
    a.library.degree = 2;
    a.noise = 0.01;
    if (nrx_dyn_audit(&data, &a, &r) != NRX_OK) return 0;
    if (r->verdict == NRX_DYN_OBSTRUCTED && r->n_integrals) { /* library order: 1, q, p, q^2, q p, p^2 */
        const double *c = r->integral;
        printf("audit: obstructed, first integral q^2 %+.3f p^2 %+.3f q p (truth %+.3f and 0): these equations hold on this orbit,\n"
               "       %lu parameters of the class stay free; only motion on this orbit is used below\n",
               c[5] / c[3], c[4] / c[3], 1 / (omega * omega), (unsigned long)r->free_parameters);
    } else printf("audit: verdict %d, not what an oscillator should give\n", r->verdict);
    nrx_dyn_audit_free(r);
    return 1;
}

/* ---- 2: the flow, from pairs of samples up to one time unit apart ---- */
static int learn_flow(double q[VIEWS])
{
    static double x[ROWS][2], y[ROWS][2], t[ROWS];
    nrx_sym_flow_desc fd = NRX_ZERO;
    nrx_sym_train_desc td = NRX_ZERO;
    nrx_sym_train_info info;
    nrx_sym_flow *flow;
    draw_bar bar = {"flow", 0, 0};
    nrx_rng rng;
    double now[2] = {0, 0}, z[2], worst = 0;
    size_t i, k;
    nrx_rng_seed(&rng, 3, 0);
    for (i = 0; i < ROWS; i++) {
        size_t lag = 1 + (size_t)nrx_rng_below(&rng, 100), at = (size_t)nrx_rng_below(&rng, SAMPLES - lag);
        memcpy(x[i], marker[at], sizeof x[i]);
        memcpy(y[i], marker[at + lag], sizeof y[i]);
        t[i] = dt * (double)lag;
    }
    fd.d = 1;
    td.x = x[0]; td.t = t; td.y = y[0]; td.rows = ROWS;
    td.steps = 3000;
    td.batch = 256;
    td.env.progress = draw_progress;
    td.env.progress_user = &bar;
    if (nrx_sym_flow_create(&fd, &flow) != NRX_OK || nrx_sym_flow_train(flow, &td, &info) != NRX_OK) return 0;
    for (k = 0; k < 200; k++) { /* the state when the marker goes: the last 200 samples, each carried there by the flow */
        i = SAMPLES - 1 - k;
        if (nrx_sym_flow_advance(flow, 1, dt * (double)k, marker[i], z) != NRX_OK) return 0;
        now[0] += z[0] / 200; now[1] += z[1] / 200;
    }
    for (k = 0; k < VIEWS; k++) {
        double after = scan_time * (double)k / VIEWS, truth = cos(omega * (dt * (SAMPLES - 1) + after));
        if (nrx_sym_flow_advance(flow, 1, after, now, z) != NRX_OK) return 0;
        q[k] = z[0];
        if (fabs(z[0] - truth) > worst) worst = fabs(z[0] - truth);
    }
    printf("symplectic flow learned from noisy pairs, loss %.2e: prediction error over the scan at most %.2f pixels of %.0f\n", info.test,
           worst * amplitude, amplitude);
    nrx_sym_flow_destroy(flow);
    return 1;
}

/* ---- 4: the regularizer: R' at a noisy image should be its noise; Freon takes the filters as matrices ---- */
static nrx_net *learn_regularizer(double *first, double *last)
{
    static float clean[PIXELS], noisy[CROPS * PIXELS], noise[CROPS * PIXELS], g[CROPS * PIXELS];
    nrx_net_crr_desc nd = NRX_ZERO;
    nrx_net_plan_desc pd = NRX_ZERO;
    nrx_opt_desc od = NRX_ZERO;
    nrx_net *net;
    nrx_net_plan *plan;
    nrx_param params[32];
    nrx_opt opt;
    nrx_ct_geometry geometry = nrx_ct_parallel(SIDE, SIDE, 1, 1);
    draw_bar bar = {"regularizer", 0, 0};
    nrx_rng rng;
    size_t count, i, k, step;
    nd.seed = 4;
    pd.n = CROPS; pd.height = pd.width = SIDE; pd.mode = NRX_NET_PAIR;
    if (nrx_net_crr(&nd, &net) != NRX_OK || nrx_net_plan_create(net, &pd, &plan) != NRX_OK) return NULL;
    count = nrx_net_params(net, params, 32);
    od.kind = NRX_OPT_FREON;
    od.lr = 0.01;
    od.aux_lr = 3e-3;
    od.schedule.kind = NRX_SCHEDULE_COSINE;
    od.schedule.total = STEPS;
    if (nrx_opt_init(&opt, params, count, &od) != NRX_OK) return NULL;
    nrx_rng_seed(&rng, 5, 0);
    for (step = 0; step < STEPS; step++) {
        double loss = 0, bare = 0;
        for (k = 0; k < CROPS; k++) {
            if (nrx_ct_phantom_textured(&geometry, 6, step * CROPS + k, 0.05, clean) != NRX_OK) return NULL;
            for (i = 0; i < PIXELS; i++) {
                noise[k * PIXELS + i] = (float)(0.05 * nrx_rng_normal(&rng));
                noisy[k * PIXELS + i] = clean[i] + noise[k * PIXELS + i];
            }
        }
        nrx_net_zero_grad(net);
        if (nrx_net_forward(plan, noisy, NULL) != NRX_OK || nrx_net_backward(plan, NULL, g, NULL) != NRX_OK) return NULL;
        for (i = 0; i < CROPS * PIXELS; i++) { /* residual of the score; its double is the direction for the parameter gradient */
            g[i] -= noise[i];
            loss += (double)g[i] * (double)g[i];
            bare += (double)noise[i] * (double)noise[i];
            g[i] *= 2e4f / (CROPS * PIXELS);
        }
        if (nrx_net_tangent(plan, g, NULL) != NRX_OK || nrx_net_backward_tangent(plan, NULL, NULL, NULL, NULL, nrx_net_grad(net)) != NRX_OK
            || nrx_opt_step(&opt) != NRX_OK) return NULL;
        nrx_net_project(net);
        if (step == 0) *first = loss / bare;
        *last = step == 0 ? loss / bare : 0.95 * *last + 0.05 * loss / bare;
        draw_progress(&bar, step + 1, STEPS, *last);
    }
    nrx_opt_drop(&opt);
    nrx_net_plan_free(plan);
    return net;
}

/* ---- 5: d/dx |Ax - y|^2 / 2 by the tape of nrx_tensor.h, through the projector, and by differences (exact for a quadratic) ---- */
static double misfit(const nrx_ct_geometry *g, const float *sino, const float *image)
{
    static float r[RAYS];
    double f = 0;
    size_t i;
    if (nrx_ct_project(g, image, r) != NRX_OK) return -1;
    for (i = 0; i < RAYS; i++) f += 0.5 * ((double)r[i] - (double)sino[i]) * ((double)r[i] - (double)sino[i]);
    return f;
}
static int check_gradient(const nrx_ct_geometry *g, const float *sino, const float *image)
{
    static float v[PIXELS], z[PIXELS];
    nrx_scope *s = nrx_t_scope_open(NULL);
    nrx_linop A;
    nrx_rng rng;
    nrx_tensor *x, *y, *e, *gx;
    double tape = 0, plus, minus;
    size_t i;
    if (!s || nrx_ct_linop(g, &A) != NRX_OK) return 0;
    x = nrx_t_empty(s, NRX_F32, nrx_s1(PIXELS));
    y = nrx_t_empty(s, NRX_F32, nrx_s1(RAYS));
    if (!x || !y) return 0;
    memcpy(x->data, image, sizeof v);
    memcpy(y->data, sino, RAYS * sizeof *sino);
    nrx_t_require_grad(x, 1);
    e = nrx_t_sub(nrx_t_linop(&A, x), y);
    if (nrx_t_grad(nrx_t_scale(nrx_t_sum(nrx_t_mul(e, e), NRX_ALL_AXES, 0), 0.5), &x, 1, &gx) != NRX_OK) return 0;
    nrx_rng_seed(&rng, 11, 0);
    for (i = 0; i < PIXELS; i++) { v[i] = (float)nrx_rng_uniform(&rng); tape += (double)v[i] * (double)((float *)gx->data)[i]; }
    for (i = 0; i < PIXELS; i++) z[i] = image[i] + v[i];
    plus = misfit(g, sino, z);
    for (i = 0; i < PIXELS; i++) z[i] = image[i] - v[i];
    minus = misfit(g, sino, z);
    printf("derivative of the data term along a random direction: tape %.6g, differences %.6g: they %s\n", tape, (plus - minus) / 2,
           fabs(tape - (plus - minus) / 2) < 1e-5 * plus ? "agree" : "differ");
    nrx_ct_linop_free(&A);
    nrx_t_scope_close(s);
    return 1;
}

/* the weight of the regularizer that does best on a phantom of its own, scanned with the predicted motion */
static double weight(const nrx_ct_geometry *g, const nrx_functional *R)
{
    static const double list[5] = {1, 3, 10, 30, 100};
    static float phantom[PIXELS], sino[RAYS], image[PIXELS];
    nrx_ct_solver solver = NRX_ZERO;
    double psnr, best = -1, chosen = list[0];
    int i;
    solver.iterations = 60;
    if (nrx_ct_phantom_textured(g, 9, 0, 0.05, phantom) != NRX_OK || nrx_ct_project(g, phantom, sino) != NRX_OK
        || nrx_ct_add_gaussian_noise(RAYS, NRX_F32, sino, 0.02, 1, 10) != NRX_OK) return 0;
    for (i = 0; i < 5; i++) {
        solver.lambda = list[i];
        if (nrx_ct_variational(g, sino, R, image, &solver) != NRX_OK || nrx_ct_psnr(PIXELS, NRX_F32, image, phantom, 0, NULL, &psnr) != NRX_OK) return 0;
        if (psnr > best) { best = psnr; chosen = list[i]; }
    }
    printf("weight %g, the best of five on another phantom (%.2f dB there)\n", chosen, best);
    return chosen;
}

int main(void)
{
    static float truth[PIXELS], sino[RAYS], image[3][PIXELS];
    static double q[VIEWS], show_t[400], show_q[400], scan_t[VIEWS];
    const char *title[4] = {"truth", "FBP, motion ignored", "FBP, moving frame", "still, learned"};
    nrx_ct_geometry still = nrx_ct_parallel(SIDE, SIDE, VIEWS, BINS), real, guess;
    nrx_ct_solver solver = NRX_ZERO;
    nrx_functional R = NRX_ZERO;
    nrx_net *net;
    nrx_net_report proof;
    nrx_rng rng;
    draw_canvas c = draw_new(4 * (2 * SIDE + 8) + 8, 400, 0xffffff);
    draw_plot p;
    double psnr[3], first = 0, last = 0;
    int i, k;

    nrx_rng_seed(&rng, 2, 0);
    for (i = 0; i < SAMPLES; i++) { /* q'' = -omega^2 q; noise of 1 % of each deviation */
        marker[i][0] = cos(omega * dt * i) + 0.01 * sqrt(0.5) * nrx_rng_normal(&rng);
        marker[i][1] = -omega * sin(omega * dt * i) + 0.01 * omega * sqrt(0.5) * nrx_rng_normal(&rng);
    }
    if (!discover() || !learn_flow(q)) return 1;

    for (k = 0; k < VIEWS; k++) { /* an object that moves by (d, 0) is an object at rest before a detector that moves by (-d, 0) */
        double at = cos(omega * (dt * (SAMPLES - 1) + scan_time * k / VIEWS));
        if (nrx_ct_geometry_view(&still, (size_t)k, &moving[k]) != NRX_OK) return 1;
        predicted[k] = moving[k];
        moving[k].detector[0] -= amplitude * at;
        predicted[k].detector[0] -= amplitude * q[k];
    }
    real = nrx_ct_vectors(1, SIDE, SIDE, VIEWS, 1, BINS, moving, 0);
    guess = nrx_ct_vectors(1, SIDE, SIDE, VIEWS, 1, BINS, predicted, 0);
    if (nrx_ct_phantom_textured(&still, 77, 0, 0.05, truth) != NRX_OK || nrx_ct_project(&real, truth, sino) != NRX_OK
        || nrx_ct_add_gaussian_noise(RAYS, NRX_F32, sino, 0.02, 1, 8) != NRX_OK) return 1;
    if (nrx_ct_fbp(&still, sino, image[0], NULL) != NRX_OK || nrx_ct_fbp(&guess, sino, image[1], NULL) != NRX_OK) return 1;
    if (!check_gradient(&guess, sino, image[1])) return 1;

    net = learn_regularizer(&first, &last);
    if (!net || nrx_net_certify(net, SIDE, SIDE, &proof) != NRX_OK || nrx_net_functional(net, SIDE, SIDE, NULL, &R) != NRX_OK) return 1;
    printf("regularizer trained by Freon: noise left %.3f -> %.3f; %s\n", first, last, proof.text);
    solver.lambda = weight(&guess, &R);
    solver.iterations = 120;
    if (nrx_ct_variational(&guess, sino, &R, image[2], &solver) != NRX_OK) return 1;
    for (i = 0; i < 3; i++) if (nrx_ct_psnr(PIXELS, NRX_F32, image[i], truth, 0, NULL, &psnr[i]) != NRX_OK) return 1;
    printf("FBP, motion ignored: %.2f dB; in the moving frame: %.2f dB; still, learned: %.2f dB, %s\n", psnr[0], psnr[1], psnr[2],
           psnr[2] > psnr[1] && psnr[1] > psnr[0] ? "each better than the one before" : "not in order");

    for (i = 0; i < 4; i++) {
        draw_image(&c, 8 + i * (2 * SIDE + 8), 8, 2, i ? image[i - 1] : truth, SIDE, SIDE, 0, 1, DRAW_GRAY);
        draw_text(&c, 8 + i * (2 * SIDE + 8), 2 * SIDE + 14, 1, 0, title[i]);
    }
    for (i = 0; i < 400; i++) { show_t[i] = 0.05 * i; show_q[i] = marker[5 * i][0]; }
    for (k = 0; k < VIEWS; k++) scan_t[k] = dt * (SAMPLES - 1) + scan_time * k / VIEWS;
    p = draw_axes(&c, 8, 170, 4 * (2 * SIDE + 8) - 8, 220, 0, 32, -1.3, 1.6, DRAW_LINEAR, "the object's place: measured, then predicted by the learned flow", "time", "q");
    draw_points(&p, 400, show_t, show_q, 1, draw_palette[0], "marker");
    draw_curve(&p, VIEWS, scan_t, q, draw_palette[1], "during the scan");
    if (!draw_save(&c, "compose_all.png")) return 1;
    draw_free(&c);
    nrx_net_functional_free(&R);
    nrx_net_free(net);
    return 0;
}
