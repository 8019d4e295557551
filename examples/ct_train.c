/* ct_train.c - trains the weights that ct_learned.c uses, from generated phantoms alone
   SPDX-License-Identifier: MIT-0 OR Unlicense

   cc -O2 examples/ct_train.c -o ct_train -lm && ./ct_train --out weights
       trains a convex (CRR) and a weakly convex (WCRR) ridge regularizer, ten seconds each, and learned primal-dual (LPD),
       about ten minutes on a free core
   --steps N    gradient steps (default 3000; LPD 6400)      --seed S (default 1)
   --only NAME  crr, wcrr or lpd
   --resume     goes on from the checkpoints in the output folder, to the bit
   The folder (default .) must exist. It receives NAME.safetensors, the checkpoint NAME.state.safetensors, and NAME.inc, the same weights as a
   C array. The weights in examples/ come from the defaults. */
// not run by the tests: it takes minutes
#include <stdio.h>

/* The first line of the log names the cause of a failure; main prints it, once. */
static char first_line[600];
static void keep_line(const char *line) { if (!first_line[0]) snprintf(first_line, sizeof first_line, "%s", line); }

#define NRX_LOG(line) keep_line(line)
#define NRX_IMPLEMENTATION
#include "../nrx_ct.h"
#include "../nrx_nets.h"
#include "ct_lpd.h"
#include "draw.h"

enum { IMAGES = 400, SIDE = 64, CHECKPOINT = 250, LPD_SIDE = 128, LPD_STEPS = 6400, LPD_TURN = 8 };

typedef struct {
    const char *out, *only;
    size_t steps;
    uint64_t seed;
    int resume;
} options;

static void path_of(const options *opt, const char *name, const char *ending, char *path, size_t size)
{
    snprintf(path, size, "%s/%s%s", opt->out, name, ending);
}

/* Loads weights, Adam's state and the step of an earlier run, if there is one. */
static size_t resume(const options *opt, const char *name, nrx_net *net, float *state)
{
    nrx_net_checkpoint *c = NULL;
    char path[1200];
    size_t step = 0;
    FILE *f;
    path_of(opt, name, ".state.safetensors", path, sizeof path);
    f = opt->resume ? fopen(path, "rb") : NULL;
    if (!f) return 0;
    fclose(f);
    if (nrx_net_checkpoint_open(path, NULL, &c) != NRX_OK || nrx_net_load_weights(net, c, NULL) != NRX_OK
        || nrx_net_load_state(net, c, state, &step) != NRX_OK)
        step = 0;
    nrx_net_checkpoint_free(c);
    printf("%s: resumed at step %d\n", name, (int)step);
    return step;
}

static nrx_status save(const options *opt, const char *name, const nrx_net *net)
{
    char path[1200], array[64];
    nrx_status status;
    path_of(opt, name, ".safetensors", path, sizeof path);
    status = nrx_net_save(net, path);
    path_of(opt, name, ".inc", path, sizeof path);
    snprintf(array, sizeof array, "ct_weights_%s", name);
    return status == NRX_OK ? nrx_net_write_c(net, path, array) : status;
}

typedef struct { const options *opt; const char *name; float *state; } checkpoint;

static nrx_status after_step(void *user, nrx_net *net, size_t step)
{
    const checkpoint *c = (const checkpoint *)user;
    char path[1200];
    if ((step + 1) % CHECKPOINT != 0) return NRX_OK;
    path_of(c->opt, c->name, ".state.safetensors", path, sizeof path);
    return nrx_net_save_state(net, c->state, step + 1, path);
}

/* desc is complete but for steps, first_step, state and callbacks. */
static nrx_status train(const options *opt, const char *name, nrx_net *net, nrx_net_train_desc desc)
{
    float *state = (float *)calloc(2 * nrx_net_param_count(net), sizeof *state);
    nrx_status status = state ? NRX_OK : NRX_E_NOMEM;
    nrx_net_train_info info = NRX_ZERO;
    draw_bar bar = {NULL, 0, 0};
    checkpoint c = {opt, name, state};
    double begin = draw_seconds();
    bar.label = name;
    desc.env.progress = draw_progress;
    desc.env.progress_user = &bar;
    desc.after_step = after_step;
    desc.after_user = &c;
    desc.state = state;
    desc.steps = opt->steps ? opt->steps : 3000;
    if (state) desc.first_step = resume(opt, name, net, state);
    if (status == NRX_OK) status = nrx_net_train(net, &desc, &info);
    free(state);
    if (status == NRX_OK) status = save(opt, name, net);
    if (status == NRX_OK)
        printf("%-12s %6d parameters, %d steps, loss %.4g, error left %.3f, %.0f s\n", name, (int)nrx_net_param_count(net), (int)desc.steps,
               info.loss, info.ratio, draw_seconds() - begin);
    return status;
}

/* ---- ridge regularizers: score matching ---- */

static nrx_status train_ridge(const options *opt, const float *images, int weakly)
{
    nrx_net_crr_desc desc = NRX_ZERO;
    nrx_net_train_desc training = NRX_ZERO;
    nrx_net *net = NULL;
    nrx_status status;
    desc.seed = training.seed = opt->seed;
    training.data.images = images;
    training.data.count = IMAGES;
    training.data.height = training.data.width = SIDE;
    training.height = training.width = 48;
    status = weakly ? nrx_net_wcrr(&desc, &net) : nrx_net_crr(&desc, &net);
    if (status == NRX_OK) status = train(opt, weakly ? "wcrr" : "crr", net, training);
    nrx_net_free(net);
    return status;
}

/* ---- learned primal-dual: supervised, through the projector ---- */

typedef struct { const nrx_ct_geometry *g; uint64_t seed; } scans;

/* n scans of fresh phantoms: clean images [n][1][128][128] and data [n][1][views][bins], both divided by the grey value that FBP shows,
   as ct_learned.c does. Phantoms, noise levels and noise come from rng alone. */
static nrx_status draw_scans(void *user, nrx_rng *rng, size_t n, float *clean, float *data)
{
    const scans *s = (const scans *)user;
    size_t pixels = nrx_ct_image_size(s->g), rays = nrx_ct_sino_size(s->g), i, k;
    float *fbp = (float *)malloc(pixels * sizeof *fbp);
    nrx_status status = fbp ? NRX_OK : NRX_E_NOMEM;
    for (i = 0; i < n && status == NRX_OK; i++) {
        float *x = clean + i * pixels, *y = data + i * rays;
        double texture = 0.02 + 0.1 * nrx_rng_uniform(rng), noise = 0.01 + 0.04 * nrx_rng_uniform(rng), grey;
        status = nrx_ct_phantom_textured(s->g, s->seed, nrx_rng_u64(rng) >> 1, texture, x);
        if (status == NRX_OK) status = nrx_ct_project(s->g, x, y);
        if (status == NRX_OK) status = nrx_ct_add_gaussian_noise(rays, NRX_F32, y, noise, 1, nrx_rng_u64(rng));
        if (status == NRX_OK) status = nrx_ct_fbp(s->g, y, fbp, NULL);
        if (status != NRX_OK) break;
        grey = ct_percentile(fbp, pixels, 0.995);
        for (k = 0; k < pixels; k++) x[k] /= (float)grey;
        for (k = 0; k < rays; k++) y[k] /= (float)grey;
    }
    free(fbp);
    return status;
}

/* The geometry of a turn of LPD_TURN steps, a function of the seed and the turn: mostly the two scans of ct_learned.c, then parallel and fan
   beams with any number of views over any arc, so that the weights do not learn one geometry by heart. `side` is the image's. */
static nrx_ct_geometry lpd_geometry(uint64_t seed, size_t turn, size_t side)
{
    nrx_ct_geometry g;
    nrx_rng r;
    size_t views, bins = side * 183 / 128, kind = turn % 8;
    double arc;
    nrx_rng_seed(&r, seed ^ 0x6c7064u, turn);
    views = side * (32 + (size_t)nrx_rng_below(&r, 65)) / 128;
    arc = NRX_PI * (100 + 80 * nrx_rng_uniform(&r)) / 180;
    if (kind < 6) { views = side * (kind % 2 ? 96 : 48) / 128; arc = kind % 2 ? NRX_PI * 2 / 3 : NRX_PI; }
    g = nrx_ct_parallel(side, side, views, bins);
    if (kind == 7) {
        double sod = (double)side * (1.5 + 2 * nrx_rng_uniform(&r)), magnification = 1.2 + 0.5 * nrx_rng_uniform(&r);
        g = nrx_ct_fan_flat(side, side, views, bins, sod, sod * magnification, 1.15 * magnification);
        arc *= 1 + nrx_rng_uniform(&r);
    }
    g.step = arc / (double)views;
    return g;
}

/* Ends a turn, and keeps a checkpoint now and then. */
typedef struct { checkpoint c; size_t end; } lpd_turn;

static nrx_status lpd_after_step(void *user, nrx_net *net, size_t step)
{
    const lpd_turn *t = (const lpd_turn *)user;
    char path[1200];
    nrx_status status = NRX_OK;
    path_of(t->c.opt, t->c.name, ".state.safetensors", path, sizeof path);
    if (step % (10 * LPD_TURN) == 0) status = nrx_net_save_state(net, t->c.state, step, path);
    return status == NRX_OK && step == t->end ? NRX_E_CANCELLED : status;
}

static nrx_status train_lpd(const options *opt)
{
    nrx_ct_geometry g = lpd_geometry(opt->seed, 0, LPD_SIDE);
    nrx_net_train_desc desc = NRX_ZERO;
    nrx_net_train_info info = NRX_ZERO;
    draw_bar bar = {"lpd", 0, 0};
    double begin = draw_seconds(), mean = 0;
    float *state = NULL, *weights = NULL;
    size_t count = 0, step = 0, steps = opt->steps ? opt->steps : LPD_STEPS;
    ct_lpd keep, use;
    nrx_status status = ct_lpd_open(&keep, &g, opt->seed); /* holds the weights between turns */
    if (status != NRX_OK) return status;
    count = nrx_net_param_count(keep.net);
    weights = nrx_net_weights(keep.net);
    state = (float *)calloc(2 * count, sizeof *state);
    if (state) step = resume(opt, "lpd", keep.net, state);
    else status = NRX_E_NOMEM;
    desc.predict = NRX_NET_PREDICT_OUTPUT;
    desc.loss = NRX_NET_LOSS_L1; /* squares would leave the sparse scans, whose errors are small, to the limited ones */
    desc.data.pairs = draw_scans;
    desc.batch = 2;
    desc.steps = steps;
    desc.last_rate = 1;
    desc.clip = 1;
    desc.seed = opt->seed;
    desc.state = state;
    desc.after_step = lpd_after_step;
    desc.env.progress = draw_progress;
    desc.env.progress_user = &bar;
    while (status == NRX_OK && step < steps) {
        scans s;
        lpd_turn turn;
        g = lpd_geometry(opt->seed, step / LPD_TURN, step < steps / 4 * 3 ? LPD_SIDE / 2 : LPD_SIDE); /* small images first: four times as fast */
        status = ct_lpd_open(&use, &g, 0);
        if (status != NRX_OK) break;
        memcpy(nrx_net_weights(use.net), weights, count * sizeof *weights);
        s.g = &g;
        s.seed = opt->seed;
        turn.c.opt = opt;
        turn.c.name = "lpd";
        turn.c.state = state;
        turn.end = (step / LPD_TURN + 1) * LPD_TURN;
        desc.data.user = &s;
        desc.rate = 3e-3 * (0.505 + 0.495 * cos(NRX_PI * (double)step / (double)steps));
        desc.height = g.views;
        desc.width = g.bins;
        desc.first_step = step;
        desc.after_user = &turn;
        status = nrx_net_train(use.net, &desc, &info);
        if (status == NRX_E_CANCELLED && info.steps == turn.end) status = NRX_OK;
        memcpy(weights, nrx_net_weights(use.net), count * sizeof *weights);
        step = info.steps;
        mean = step <= 4 * LPD_TURN ? info.ratio : 0.95 * mean + 0.05 * info.ratio;
        ct_lpd_close(&use);
        if (step % (20 * LPD_TURN) == 0) {
            printf("lpd: step %d of %d, mean square error %.3g, %.0f s\n", (int)step, (int)steps, mean, draw_seconds() - begin);
            fflush(stdout);
        }
    }
    if (status == NRX_OK) status = save(opt, "lpd", keep.net);
    if (status == NRX_OK)
        printf("%-12s %6d parameters, %d steps, mean square error %.3g, %.0f s\n", "lpd", (int)count, (int)steps, mean, draw_seconds() - begin);
    free(state);
    ct_lpd_close(&keep);
    return status;
}

/* A folder that cannot be written to is better known before the work than after it. */
static int can_write(const options *opt)
{
    char path[1200];
    FILE *f;
    path_of(opt, "ct_train", ".tmp", path, sizeof path);
    f = fopen(path, "wb");
    if (f) { fclose(f); (void)remove(path); }
    return f != NULL;
}

int main(int argc, char **argv)
{
    options opt = {".", NULL, 0, 1, 0};
    nrx_ct_geometry g = nrx_ct_parallel(SIDE, SIDE, 1, 1);
    float *images = (float *)malloc(sizeof(float) * IMAGES * SIDE * SIDE);
    nrx_status status = images ? NRX_OK : NRX_E_NOMEM;
    size_t k;
    int i;
    for (i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(argv[i], "--out") && next) opt.out = argv[++i];
        else if (!strcmp(argv[i], "--only") && next) opt.only = argv[++i];
        else if (!strcmp(argv[i], "--steps") && next && atol(next) > 0) opt.steps = (size_t)atol(argv[++i]);
        else if (!strcmp(argv[i], "--seed") && next) opt.seed = (uint64_t)atol(argv[++i]);
        else if (!strcmp(argv[i], "--resume")) opt.resume = 1;
        else {
            fprintf(!strcmp(argv[i], "--help") ? stdout : stderr,
                    "usage: ct_train [--out DIR] [--steps N] [--only crr|wcrr|lpd] [--seed S] [--resume]\n");
            free(images);
            return strcmp(argv[i], "--help") ? 2 : 0;
        }
    }
    if (opt.only && strcmp(opt.only, "crr") && strcmp(opt.only, "wcrr") && strcmp(opt.only, "lpd")) {
        fprintf(stderr, "ct_train: --only %s: expected crr, wcrr or lpd\n", opt.only);
        free(images);
        return 2;
    }
    if (!can_write(&opt)) {
        fprintf(stderr, "ct_train: --out %s: not a folder in which files can be made\n", opt.out);
        free(images);
        return 1;
    }
    for (k = 0; k < IMAGES && status == NRX_OK; k++)
        status = nrx_ct_phantom_textured(&g, opt.seed, k, k % 2 ? 0.04 : 0.12, images + k * SIDE * SIDE);
#define WANTED(name) (status == NRX_OK && (!opt.only || !strcmp(opt.only, name)))
    if (WANTED("crr")) status = train_ridge(&opt, images, 0);
    if (WANTED("wcrr")) status = train_ridge(&opt, images, 1);
    if (WANTED("lpd")) status = train_lpd(&opt);
    free(images);
    if (status != NRX_OK) fprintf(stderr, "ct_train: %s\n", first_line[0] ? first_line : nrx_status_string(status));
    return status != NRX_OK;
}
