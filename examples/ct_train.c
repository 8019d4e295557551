/* ct_train.c - trains the weights that ct_learned.c uses, from generated phantoms alone
   SPDX-License-Identifier: MIT-0 OR Unlicense

   cc -O2 examples/ct_train.c -o ct_train -lm && ./ct_train --out weights
       trains a convex (CRR) and a weakly convex (WCRR) ridge regularizer, ten seconds each
   --steps N    gradient steps of each (default 3000)      --seed S (default 1)
   --only NAME  crr or wcrr
   --resume     goes on from the checkpoints in the output folder, to the bit
   The folder (default .) must exist. It receives NAME.safetensors, the checkpoint NAME.state.safetensors, and NAME.inc, the same weights as a
   C array. The weights in examples/ come from the defaults. */
#define NRX_VERBOSE
#define NRX_IMPLEMENTATION
#include "../nrx_ct.h"
#include "../nrx_nets.h"
#include "draw.h"

enum { IMAGES = 400, SIDE = 64, CHECKPOINT = 250 };

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
    desc.steps = opt->steps;
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

int main(int argc, char **argv)
{
    options opt = {".", NULL, 3000, 1, 0};
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
                    "usage: ct_train [--out DIR] [--steps N] [--only crr|wcrr] [--seed S] [--resume]\n");
            free(images);
            return strcmp(argv[i], "--help") ? 2 : 0;
        }
    }
    for (k = 0; k < IMAGES && status == NRX_OK; k++)
        status = nrx_ct_phantom_textured(&g, opt.seed, k, k % 2 ? 0.04 : 0.12, images + k * SIDE * SIDE);
#define WANTED(name) (status == NRX_OK && (!opt.only || !strcmp(opt.only, name)))
    if (WANTED("crr")) status = train_ridge(&opt, images, 0);
    if (WANTED("wcrr")) status = train_ridge(&opt, images, 1);
    free(images);
    if (status != NRX_OK) fprintf(stderr, "ct_train: stopped: %s\n", nrx_status_string(status));
    return status != NRX_OK;
}
