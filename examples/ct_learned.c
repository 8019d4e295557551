/* ct_learned.c - the main job of nrx: tomography from few views by FBP, total variation and learned methods with certificates
   SPDX-License-Identifier: MIT-0 OR Unlicense

   cc -O2 examples/ct_learned.c -o ct_learned -lm && ./ct_learned
       simulates a sparse-view and a limited-angle scan with noise, reconstructs both, prints a table, writes PNG pictures
   ./ct_learned SINOGRAM.npy GEOMETRY.geom [--views N]
       the same on a measured scan, from N of its views (default: a quarter); the other views judge the result
   --weights FILE   a regularizer of your own (.safetensors, .pt, .pth) in place of the shipped one of its kind, as its certificate says,
                    or weights of learned primal-dual from ct_train
   --out DIR (default .)   --seed S   --help
   Errors are one line on stderr and exit code 1 (2: the command line); Ctrl-C stops at the next iteration with exit code 130.

   Every weight of a regularizer is chosen by the same rule for all methods and never with the true image: the scan's own views
   are split, four of five reconstruct, the fifth judges; then all reconstruct with the largest weight that predicts within one standard error
   of the best. The simulated data come from the projector that reconstructs them, which flatters all methods alike.
   Learned primal-dual has no such weight and no certificate: it is a network that was trained to turn simulated scans into images. */
#include <signal.h>
#include <stdarg.h>
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
#include "ct_weights_crr.inc"          /* trained by ct_train.c on generated phantoms; the .safetensors files beside them are the same */
#include "ct_weights_wcrr.inc"
#include "ct_weights_lpd.inc"
// expect: sparse view.*48 views
// expect: limited angle
// expect: CRR .*convex
// expect: WCRR .*weakly convex
// expect: LPD .*none

typedef struct {
    nrx_ct_geometry g;     /* of the views in sino */
    double *angles;
    float *sino;
} scan;

typedef struct {
    const char *name;
    float *image;
    double lambda, seconds, psnr, ssim, residual;
    int iterations, stop;
    char certificate[96];
    double history[400];
} result;

enum { FBP, TV, CRR, WCRR, LPD, METHODS };
static const char *const method_name[METHODS] = {"FBP", "TV", "CRR", "WCRR", "LPD"};
static const char *const file_name[METHODS] = {"fbp", "tv", "crr", "wcrr", "lpd"};

#define ALL_VIEWS ((size_t)-1)

typedef struct {
    const char *sinogram, *geometry, *out, *weights;
    size_t views; /* to reconstruct from; 0: a quarter of what there is */
    uint64_t seed;
} options;

static int usage(void)
{
    puts("usage: ct_learned [SINOGRAM.npy GEOMETRY.geom [--views N]] [--weights FILE] [--out DIR] [--seed S]\n"
         "  without files: simulates a sparse-view and a limited-angle scan and reconstructs them\n"
         "  SINOGRAM.npy   line integrals [view][bin], any NumPy number type\n"
         "  GEOMETRY.geom  lines `key = value`: geometry, detector_count, detector_pitch, angles, image_size, pixel_size, ...\n"
         "  --views N      reconstruct from N of the views (default: a quarter), the others judge; --views all: every tenth view is held back to judge\n"
         "  --weights FILE a regularizer to use instead of the shipped CRR or WCRR, or other weights of LPD\n"
         "  --out DIR      where pictures and fbp.npy, tv.npy, crr.npy, wcrr.npy, lpd.npy go (default: here)\n"
         "  --seed S       of the simulated scans (default 1)");
    return 0;
}

/* A failure of this program's own: one line for main to print. */
static nrx_status refuse(nrx_status status, const char *format, ...)
{
    char line[600];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    keep_line(line);
    return status;
}

/* The library's line about a file, with the file's name in front where it does not say it. */
static nrx_status about(const char *path, nrx_status status)
{
    char line[600];
    if (status == NRX_OK || strstr(first_line, path)) return status;
    snprintf(line, sizeof line, "%.200s: %.390s", path, first_line[0] ? first_line : nrx_status_string(status));
    first_line[0] = 0;
    keep_line(line);
    return status;
}

/* ---- progress of the whole job, and Ctrl-C ---- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
    interrupted = 1;
    signal(sig, SIG_DFL); /* the second one kills */
}

/* Work is counted in iterations, weighted by what one costs; a search for a weight is expected to need EXPECTED reconstructions. */
enum { EXPECTED = 9, SEARCH_TV = 200, SEARCH_LEARNED = 60, FINAL = 300, COST_LEARNED = 3 };
typedef struct { draw_bar bar; double done, total, unit; } meter;
static meter progress;

static double method_work(int m)
{
    if (m == TV) return EXPECTED * SEARCH_TV + FINAL;
    return m == CRR || m == WCRR ? COST_LEARNED * (EXPECTED * SEARCH_LEARNED + FINAL) : 20;
}

static double scan_work(void)
{
    double work = 0;
    int m;
    for (m = 0; m < METHODS; m++) work += method_work(m);
    return work;
}

static int on_progress(void *user, size_t done, size_t total, double value)
{
    meter *p = (meter *)user;
    double at = p->done + p->unit * (double)done;
    (void)total;
    draw_progress(&p->bar, (size_t)(at < p->total ? at : p->total - 1), (size_t)p->total, value);
    return interrupted;
}

/* ---- scans ---- */

static void scan_free(scan *s)
{
    free(s->angles);
    free(s->sino);
    memset(s, 0, sizeof *s);
}

/* The views i of `from` with keep[i] == which. */
static int scan_take(const scan *from, const unsigned char *keep, int which, scan *to)
{
    size_t i, n = 0, bins = from->g.bins;
    memset(to, 0, sizeof *to);
    for (i = 0; i < from->g.views; i++) n += keep[i] == which;
    to->angles = (double *)malloc((n + 1) * sizeof *to->angles);
    to->sino = (float *)malloc((n * bins + 1) * sizeof *to->sino);
    if (!to->angles || !to->sino) { scan_free(to); return 0; }
    for (i = 0, n = 0; i < from->g.views; i++) {
        if (keep[i] != which) continue;
        to->angles[n] = nrx_ct_angle(&from->g, i);
        memcpy(to->sino + n * bins, from->sino + i * bins, bins * sizeof *to->sino);
        n++;
    }
    to->g = from->g;
    to->g.views = n;
    to->g.angles = to->angles;
    to->g.stride = 1;
    to->g.owned = NULL;
    return 1;
}

/* |A x - b| / |b| over the views of s. */
static double relative_residual(const scan *s, const float *image)
{
    size_t i, n = nrx_ct_sino_size(&s->g);
    float *ax = (float *)malloc((n + 1) * sizeof *ax);
    double r = 0, b = 0;
    if (!ax || nrx_ct_project(&s->g, image, ax) != NRX_OK) { free(ax); return HUGE_VAL; }
    for (i = 0; i < n; i++) {
        r += ((double)ax[i] - s->sino[i]) * ((double)ax[i] - s->sino[i]);
        b += (double)s->sino[i] * s->sino[i];
    }
    free(ax);
    return b > 0 ? sqrt(r / b) : HUGE_VAL;
}

/* ---- reconstruction ---- */

typedef struct {
    nrx_net *net[METHODS];   /* the learned regularizers */
    nrx_net_checkpoint *lpd; /* weights of learned primal-dual */
    double scale;            /* images are divided by it before they meet a regularizer trained on [0, 1] */
    double norm2;            /* |A|^2 */
} setting;

/* Learned primal-dual: a fixed number of iterations of a network with the projector inside. */
static nrx_status reconstruct_lpd(const scan *s, const setting *set, result *r)
{
    size_t n = nrx_ct_sino_size(&s->g), pixels = nrx_ct_image_size(&s->g), i;
    float *data = (float *)malloc((n + 1) * sizeof *data);
    nrx_net_plan_desc desc = NRX_ZERO;
    nrx_net_plan *plan = NULL;
    ct_lpd lpd;
    nrx_status status = data ? ct_lpd_open(&lpd, &s->g, 0) : NRX_E_NOMEM;
    if (status != NRX_OK) { free(data); return status; }
    for (i = 0; i < n; i++) data[i] = (float)((double)s->sino[i] / set->scale);
    desc.n = 1;
    desc.height = s->g.views;
    desc.width = s->g.bins;
    status = nrx_net_load_weights(lpd.net, set->lpd, NULL);
    if (status == NRX_OK) status = nrx_net_plan_create(lpd.net, &desc, &plan);
    if (status == NRX_OK) status = nrx_net_forward(plan, data, r->image);
    for (i = 0; i < pixels && status == NRX_OK; i++) /* attenuation is not negative, as for the others */
        r->image[i] = r->image[i] > 0 ? (float)((double)r->image[i] * set->scale) : 0.0f;
    nrx_net_plan_free(plan);
    ct_lpd_close(&lpd);
    free(data);
    return status;
}

/* One reconstruction from zero or from the image given. lambda is relative: it multiplies |A|^2, and the grey scale where units ask. */
static nrx_status reconstruct(const scan *s, const setting *set, int method, double lambda, int iterations, int warm, result *r)
{
    nrx_ct_solver solver = NRX_ZERO;
    nrx_ct_info info = NRX_ZERO;
    nrx_net_functional_desc desc = NRX_ZERO;
    nrx_functional R;
    nrx_status status;
    double begin = draw_seconds();
    nrx_ct_geometry g = s->g;
    if (interrupted) return NRX_E_CANCELLED;
    g.env.progress = on_progress;
    g.env.progress_user = &progress;
    progress.unit = method == TV ? 1 : COST_LEARNED;
    memset(r->history, 0, sizeof r->history);
    info.history = r->history;
    info.history_size = 400;
    solver.iterations = iterations;
    solver.tolerance = 1e-5;
    solver.box = NRX_CT_LOWER;
    solver.warm_start = warm;
    solver.info = &info;
    if (method == FBP) status = nrx_ct_fbp(&s->g, s->sino, r->image, NULL);
    else if (method == LPD) status = reconstruct_lpd(s, set, r);
    else if (method == TV) {
        solver.lambda = lambda * set->norm2 * set->scale;
        status = nrx_ct_tv(&g, s->sino, r->image, &solver);
    } else {
        desc.weight = lambda * set->norm2;
        desc.scale = 1.0 / set->scale;
        status = nrx_net_functional(set->net[method], s->g.rows, s->g.cols, &desc, &R);
        if (status == NRX_OK) {
            solver.lambda = 1;
            status = nrx_ct_variational(&g, s->sino, &R, r->image, &solver);
            nrx_net_functional_free(&R);
        }
    }
    progress.done += progress.unit * iterations;
    r->seconds = draw_seconds() - begin;
    r->iterations = info.iterations;
    r->stop = info.stop;
    r->lambda = lambda;
    return status;
}

/* The regularization weight: four fifths of the views reconstruct with a falling sequence of weights and are judged by the fifth view of
   each five. (Learned regularizers start from the last image; total variation starts anew, its dual is not kept.) Of the weights
   that predict within one standard error of the best the largest is taken ("one standard error rule", Breiman et al. 1984): the residual of m noisy numbers
   is known to about 1/sqrt(2m) of itself. */
static nrx_status choose_lambda(const scan *s, const setting *set, int method, result *r, double *lambda)
{
    enum { MOST = 16 };
    double score[MOST], best = HUGE_VAL, margin;
    unsigned char *keep = (unsigned char *)malloc(s->g.views + 1);
    scan train, judge;
    nrx_status status = NRX_OK;
    size_t i;
    int k, count = 0, since_best = 0, first = method == TV ? -5 : -1;
    if (!keep) return NRX_E_NOMEM;
    for (i = 0; i < s->g.views; i++) keep[i] = i % 5 == 2;
    if (!scan_take(s, keep, 0, &train)) status = NRX_E_NOMEM;
    else if (!scan_take(s, keep, 1, &judge)) { scan_free(&train); status = NRX_E_NOMEM; }
    free(keep);
    if (status != NRX_OK) return status;
    for (k = 0; k < MOST && since_best < 3 && status == NRX_OK; k++) {
        if (method == TV) memset(r->image, 0, nrx_ct_image_size(&s->g) * sizeof *r->image);
        status = reconstruct(&train, set, method, pow(2.0, first - k), method == TV ? SEARCH_TV : SEARCH_LEARNED, k > 0 && method != TV, r);
        score[count++] = relative_residual(&judge, r->image);
        if (score[k] < best) { best = score[k]; since_best = 0; } else since_best++;
    }
    margin = 1 + 1 / sqrt(2.0 * (double)nrx_ct_sino_size(&judge.g));
    for (k = 0; k < count - 1 && score[k] > best * margin; k++) {}
    *lambda = pow(2.0, first - k);
    memset(r->image, 0, nrx_ct_image_size(&s->g) * sizeof *r->image);
    scan_free(&train);
    scan_free(&judge);
    return status;
}

/* All methods on one scan. truth may be NULL; left_out may have no views. */
static nrx_status run_methods(const scan *s, const scan *left_out, const float *truth, setting *set, result *results)
{
    size_t n = nrx_ct_image_size(&s->g);
    nrx_status status = NRX_OK;
    double upper = 0;
    int m;
    status = nrx_ct_norm(&s->g, 5, NULL, &upper);
    set->norm2 = upper * upper;
    for (m = 0; m < METHODS && status == NRX_OK; m++) {
        result *r = &results[m];
        double lambda = 0, work = progress.done;
        r->name = method_name[m];
        r->image = (float *)calloc(n, sizeof *r->image);
        if (!r->image) return NRX_E_NOMEM;
        if (m != FBP && m != LPD) status = choose_lambda(s, set, m, r, &lambda);
        if (status == NRX_OK) status = reconstruct(s, set, m, lambda, FINAL, 0, r);
        if (status != NRX_OK) break;
        progress.done = work + method_work(m);
        if (m == FBP) set->scale = ct_percentile(r->image, n, 0.995);
        strcpy(r->certificate, m == TV ? "convex" : m == LPD ? "none" : "-");
        if (set->net[m]) {
            nrx_net_report report;
            status = nrx_net_certify(set->net[m], s->g.rows, s->g.cols, &report);
            if (status == NRX_OK) snprintf(r->certificate, sizeof r->certificate, "%.*s", (int)strcspn(report.text, ";"), report.text);
        }
        if (truth && status == NRX_OK) {
            status = nrx_ct_psnr(n, NRX_F32, r->image, truth, 0, NULL, &r->psnr);
            if (status == NRX_OK) status = nrx_ct_ssim(s->g.rows, s->g.cols, NRX_F32, r->image, truth, 0, NRX_CT_SSIM_WANG, NULL, &r->ssim);
        }
        r->residual = left_out->g.views ? relative_residual(left_out, r->image) : HUGE_VAL;
    }
    return status;
}

static void print_table(const result *results, int with_truth, int with_left_out)
{
    int m;
    printf("%-6s", "method");
    if (with_truth) printf(" %8s %7s", "PSNR dB", "SSIM");
    if (with_left_out) printf(" %12s", "left-out");
    printf(" %8s %5s %-28s %9s  %s\n", "seconds", "its", "stop", "lambda", "certificate");
    for (m = 0; m < METHODS; m++) {
        const result *r = &results[m];
        printf("%-6s", r->name);
        if (with_truth) printf(" %8.2f %7.4f", r->psnr, r->ssim);
        if (with_left_out) printf(" %12.5f", r->residual);
        printf(" %8.2f", r->seconds);
        if (m == FBP) printf(" %5s %-28s %9s", "-", "-", "-");
        else if (m == LPD) printf(" %5d %-28s %9s", CT_LPD_ITERATIONS, "fixed number of steps", "-");
        else printf(" %5d %-28s %9.3g", r->iterations, nrx_stop_string(r->stop), r->lambda);
        printf("  %s\n", r->certificate);
    }
}

/* ---- pictures and files ---- */

static int draw_panel(const options *opt, const char *name, const char *title, const result *results, const float *reference, const char *reference_name,
                      size_t rows, size_t cols, double hi, int with_truth)
{
    int scale = cols <= 160 ? 2 : 1, w = (int)cols * scale, h = (int)rows * scale, m, ok;
    draw_canvas c = draw_new(3 * (w + 8) + 8, 2 * (h + 22) + 26, 0xffffff); /* five methods and the reference */
    char text[1200];
    draw_text(&c, 8, 6, 1, 0, title);
    for (m = 0; m <= METHODS; m++) {
        const float *img = m < METHODS ? results[m].image : reference;
        int x = 8 + m % 3 * (w + 8), y = 22 + m / 3 * (h + 22);
        draw_image(&c, x, y, scale, img, (int)cols, (int)rows, 0, hi, DRAW_GRAY);
        if (m >= METHODS) snprintf(text, sizeof text, "%s", reference_name);
        else if (with_truth) snprintf(text, sizeof text, "%s %.2f dB", results[m].name, results[m].psnr);
        else snprintf(text, sizeof text, "%s %.4f", results[m].name, results[m].residual);
        draw_text(&c, x, y + h + 6, 1, 0, text);
    }
    snprintf(text, sizeof text, "%s/%s", opt->out, name);
    ok = draw_save(&c, text);
    draw_free(&c);
    return ok;
}

/* What a method reports per iteration, on one scale: TV the relative change of its image, the learned regularizers how far the objective
   still is above its last value, relative to that. */
static int convergence_curve(const result *r, int method, double *y)
{
    int i, n = r->iterations < 400 ? r->iterations : 400;
    double last = n > 0 ? r->history[n - 1] : 0;
    for (i = 0; i < n; i++) {
        double v = method == TV ? r->history[i] : (r->history[i] - last) / last;
        y[i] = v > 1e-7 ? v : 1e-7;
    }
    return method == TV ? n : n - 1;
}

static int draw_convergence(const options *opt, const char *name, const char *title, const result *results)
{
    draw_canvas c = draw_new(560, 380, 0xffffff);
    draw_plot p = draw_axes(&c, 0, 0, 560, 380, 0, FINAL, 1e-7, 10, DRAW_LOG_Y, title, "iteration", "TV: change of the image; CRR, WCRR: objective above its end");
    double y[400];
    char text[1200];
    int m, ok;
    for (m = TV; m <= WCRR; m++) {
        int n = convergence_curve(&results[m], m, y);
        if (n > 0) draw_curve(&p, (size_t)n, NULL, y, draw_palette[m], results[m].name);
    }
    snprintf(text, sizeof text, "%s/%s", opt->out, name);
    ok = draw_save(&c, text);
    draw_free(&c);
    return ok;
}

static nrx_status save_arrays(const options *opt, const char *prefix, const result *results, size_t rows, size_t cols)
{
    size_t shape[3];
    char path[1200];
    int m;
    shape[0] = 1;
    shape[1] = rows;
    shape[2] = cols;
    for (m = 0; m < METHODS; m++) {
        snprintf(path, sizeof path, "%s/%s%s.npy", opt->out, prefix, file_name[m]);
        if (nrx_ct_image_save(path, NRX_F32, results[m].image, shape, NULL, 0, 0, NULL) != NRX_OK) return NRX_E_IO;
    }
    return NRX_OK;
}

/* ---- the shipped regularizers, or one of the user's ---- */

static nrx_status load_shipped(const unsigned char *bytes, size_t size, nrx_net **net)
{
    nrx_net_checkpoint *c = NULL;
    nrx_status status = nrx_net_checkpoint_read(bytes, size, NULL, &c);
    if (status == NRX_OK) status = nrx_net_load_checkpoint(c, NULL, net);
    nrx_net_checkpoint_free(c);
    return status;
}

static nrx_status load_weights(setting *set, const options *opt)
{
    nrx_net_checkpoint *c = NULL;
    nrx_net_report report;
    nrx_net *own = NULL;
    const char *arch;
    nrx_status status = load_shipped(ct_weights_crr, sizeof ct_weights_crr, &set->net[CRR]);
    int slot;
    if (status == NRX_OK) status = load_shipped(ct_weights_wcrr, sizeof ct_weights_wcrr, &set->net[WCRR]);
    if (status == NRX_OK) status = nrx_net_checkpoint_read(ct_weights_lpd, sizeof ct_weights_lpd, NULL, &set->lpd);
    if (status != NRX_OK || !opt->weights) return status;
    status = about(opt->weights, nrx_net_checkpoint_open(opt->weights, NULL, &c));
    if (status != NRX_OK) return status;
    arch = nrx_net_checkpoint_meta(c, "arch");
    if (arch && !strcmp(arch, "lpd")) {
        nrx_net_checkpoint_free(set->lpd);
        set->lpd = c;
        return NRX_OK;
    }
    nrx_net_checkpoint_free(c);
    status = nrx_net_load(opt->weights, NULL, &own);
    if (status == NRX_OK) status = nrx_net_certify(own, 64, 64, &report);
    (void)about(opt->weights, status);
    if (status != NRX_OK) { nrx_net_free(own); return status; }
    printf("%s: %s\n", opt->weights, report.text);
    slot = report.convexity == NRX_CONVEX ? CRR : WCRR;
    nrx_net_free(set->net[slot]);
    set->net[slot] = own;
    return NRX_OK;
}

/* A folder that cannot be written to is better known before the work than after it. */
static nrx_status check_folder(const char *folder)
{
    char path[1200];
    FILE *f;
    if (strlen(folder) > 1000) return refuse(NRX_E_ARG, "--out: the path is longer than 1000 characters");
    snprintf(path, sizeof path, "%s/ct_learned.tmp", folder);
    f = fopen(path, "wb");
    if (!f) return refuse(NRX_E_IO, "--out %s: not a folder in which files can be made", folder);
    fclose(f);
    remove(path);
    return NRX_OK;
}

/* ---- the two modes ---- */

static nrx_status simulated_scan(const options *opt, setting *set, const char *title, const char *prefix, nrx_ct_geometry g)
{
    size_t n = nrx_ct_image_size(&g);
    scan s, none;
    result results[METHODS];
    float *truth = (float *)malloc(n * sizeof *truth);
    char name[64];
    nrx_status status;
    int m;
    memset(&s, 0, sizeof s);
    memset(&none, 0, sizeof none);
    memset(results, 0, sizeof results);
    s.g = g;
    s.sino = (float *)malloc(nrx_ct_sino_size(&g) * sizeof *s.sino);
    status = truth && s.sino ? nrx_ct_phantom_textured(&g, opt->seed + 1000, 0, 0.05, truth) : NRX_E_NOMEM; /* not a training image */
    if (status == NRX_OK) status = nrx_ct_project(&g, truth, s.sino);
    if (status == NRX_OK) status = nrx_ct_add_gaussian_noise(nrx_ct_sino_size(&g), NRX_F32, s.sino, 0.03, 1, opt->seed);
    if (status == NRX_OK) status = run_methods(&s, &none, truth, set, results);
    if (status == NRX_OK) {
        draw_progress_end(&progress.bar);
        printf("\n%s: %d x %d image, %d views, 3 %% noise\n", title, (int)g.rows, (int)g.cols, (int)g.views);
        print_table(results, 1, 0);
        snprintf(name, sizeof name, "%s.png", prefix);
        if (!draw_panel(opt, name, title, results, truth, "truth", g.rows, g.cols, 1.0, 1)) status = NRX_E_IO;
        snprintf(name, sizeof name, "%s_convergence.png", prefix);
        if (status == NRX_OK && !draw_convergence(opt, name, title, results)) status = NRX_E_IO;
        snprintf(name, sizeof name, "%s_", prefix);
        if (status == NRX_OK) status = save_arrays(opt, name, results, g.rows, g.cols);
    }
    for (m = 0; m < METHODS; m++) free(results[m].image);
    free(truth);
    scan_free(&s);
    return status;
}

static nrx_status simulate(const options *opt, setting *set)
{
    nrx_ct_geometry sparse = nrx_ct_parallel(128, 128, 48, 183), limited = nrx_ct_parallel(128, 128, 96, 183);
    nrx_status status;
    limited.step = 2.0 * NRX_PI / 3 / 96; /* 120 of 180 degrees */
    progress.total = 2 * scan_work();
    status = simulated_scan(opt, set, "sparse view, 180 degrees", "sparse", sparse);
    return status == NRX_OK ? simulated_scan(opt, set, "limited angle, 120 degrees", "limited", limited) : status;
}

/* The sinogram as the geometry wants it; a transposed file has the right number of values and is still refused. */
static nrx_status load_sinogram(const char *path, const nrx_ct_geometry *g, void **data)
{
    size_t shape[3], n, i;
    nrx_status status = about(path, nrx_ct_image_load(path, NRX_F32, data, shape, NULL, NULL));
    if (status != NRX_OK) return status;
    n = nrx_ct_sino_size(g);
    if (shape[0] != 1 || shape[1] != g->views || shape[2] != g->bins)
        status = refuse(NRX_E_SHAPE, "%s: %s%d x %d numbers, the geometry describes %d views x %d bins", path, shape[0] == 1 ? "" : "several pages of ",
                        (int)shape[1], (int)shape[2], (int)g->views, (int)g->bins);
    for (i = 0; i < n && status == NRX_OK; i++)
        if (!(fabs((double)((float *)*data)[i]) <= 3.4e38))
            status = refuse(NRX_E_NUMERIC, "%s: view %d, bin %d is not a finite number", path, (int)(i / g->bins), (int)(i % g->bins));
    return status;
}

/* keep[i] = 1: view i reconstructs; the others judge. With all views asked for every tenth is held back all the same. */
static nrx_status split_views(const options *opt, const nrx_ct_geometry *g, unsigned char *keep)
{
    size_t views = opt->views == ALL_VIEWS ? g->views : opt->views ? opt->views : (g->views + 3) / 4, i;
    if (views > g->views || views < 5)
        return refuse(NRX_E_ARG, "--views %d: the scan has %d views and at least 5 are needed", (int)views, (int)g->views);
    for (i = 0; i < g->views; i++) keep[i] = views == g->views && i % 10 != 5;
    for (i = 0; i < views && views < g->views; i++) keep[i * g->views / views] = 1;
    return NRX_OK;
}

/* The left-out views say whether the supervised network is at home on this scan. */
static void judge_lpd(const result *results)
{
    int best = TV;
    if (results[CRR].residual < results[best].residual) best = CRR;
    if (results[WCRR].residual < results[best].residual) best = WCRR;
    if (results[LPD].residual > 1.5 * results[best].residual)
        printf("LPD explains the left-out views %.1f times worse than %s: its training does not cover this scan\n",
               results[LPD].residual / results[best].residual, method_name[best]);
}

static nrx_status measured(const options *opt, setting *set)
{
    nrx_ct_geometry g;
    nrx_status status = about(opt->geometry, nrx_ct_geometry_load(opt->geometry, &g, NULL));
    unsigned char *keep = NULL;
    scan all, used, left_out;
    result results[METHODS];
    nrx_ct_solver plain = NRX_ZERO;
    float *full = NULL;
    void *data = NULL;
    int m;
    if (status != NRX_OK) return status;
    memset(&all, 0, sizeof all);
    memset(&used, 0, sizeof used);
    memset(&left_out, 0, sizeof left_out);
    memset(results, 0, sizeof results);
    progress.total = scan_work();
    if (g.slices > 1 || g.bin_rows > 1) status = refuse(NRX_E_UNSUPPORTED, "%s: a three-dimensional scan; this example is for one slice", opt->geometry);
    if (status == NRX_OK) status = load_sinogram(opt->sinogram, &g, &data);
    if (status == NRX_OK) {
        keep = (unsigned char *)calloc(g.views, 1);
        full = (float *)calloc(nrx_ct_image_size(&g), sizeof *full);
        status = keep && full ? split_views(opt, &g, keep) : NRX_E_NOMEM;
    }
    if (status == NRX_OK) {
        all.g = g;
        all.sino = (float *)data;
        if (!scan_take(&all, keep, 1, &used) || !scan_take(&all, keep, 0, &left_out)) status = NRX_E_NOMEM;
    }
    plain.iterations = 20; /* the reference has no regularizer and no weight: 20 iterations of CGLS on all views */
    if (status == NRX_OK) status = nrx_ct_cgls(&g, data, full, &plain);
    if (status == NRX_OK) status = run_methods(&used, &left_out, full, set, results);
    if (status == NRX_OK) {
        char title[200];
        draw_progress_end(&progress.bar);
        snprintf(title, sizeof title, "measured scan: %d of %d views, %d x %d image", (int)used.g.views, (int)g.views, (int)g.rows, (int)g.cols);
        printf("\n%s\n", title);
        puts("left-out: relative residual on the views that were not used; PSNR and SSIM against 20 iterations of CGLS on all views;");
        puts("LPD was trained on simulated scans of other geometries, nothing vouches for it but the left-out views");
        print_table(results, 1, 1);
        judge_lpd(results);
        if (!draw_panel(opt, "measured.png", title, results, full, "CGLS, all views", g.rows, g.cols, ct_percentile(full, g.rows * g.cols, 0.998), 0)
            || !draw_convergence(opt, "measured_convergence.png", title, results))
            status = NRX_E_IO;
        if (status == NRX_OK) status = save_arrays(opt, "", results, g.rows, g.cols);
    }
    for (m = 0; m < METHODS; m++) free(results[m].image);
    free(full);
    free(keep);
    nrx_ct_free(data, NULL);
    scan_free(&used);
    scan_free(&left_out);
    nrx_ct_geometry_free(&g);
    return status;
}

static int parse(int argc, char **argv, options *opt)
{
    int i;
    for (i = 1; i < argc; i++) {
        const char *a = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;
        char *end = NULL;
        if (!strcmp(a, "--help") || !strcmp(a, "-h")) return usage();
        if (!strcmp(a, "--out") || !strcmp(a, "--weights") || !strcmp(a, "--views") || !strcmp(a, "--seed")) {
            if (!next) { fprintf(stderr, "ct_learned: %s needs a value; --help lists the options\n", a); return 2; }
            i++;
            if (a[2] == 'o') opt->out = next;
            else if (a[2] == 'w') opt->weights = next;
            else if (a[2] == 'v' && !strcmp(next, "all")) opt->views = ALL_VIEWS;
            else {
                long v = strtol(next, &end, 10);
                if (*end || end == next || v < (a[2] == 'v')) { fprintf(stderr, "ct_learned: %s needs a whole number%s, not '%s'\n", a, a[2] == 'v' ? " or 'all'" : "", next); return 2; }
                if (a[2] == 'v') opt->views = (size_t)v;
                else opt->seed = (uint64_t)v;
            }
        } else if (a[0] == '-') { fprintf(stderr, "ct_learned: unknown option %s; --help lists the options\n", a); return 2; }
        else if (!opt->sinogram) opt->sinogram = a;
        else if (!opt->geometry) opt->geometry = a;
        else { fprintf(stderr, "ct_learned: one argument too many: %s\n", a); return 2; }
    }
    if (opt->sinogram && !opt->geometry) { fprintf(stderr, "ct_learned: a sinogram needs its geometry: ct_learned SINOGRAM.npy GEOMETRY.geom\n"); return 2; }
    if (opt->views && !opt->sinogram) { fprintf(stderr, "ct_learned: --views is for measured scans: ct_learned SINOGRAM.npy GEOMETRY.geom --views N\n"); return 2; }
    return -1;
}

int main(int argc, char **argv)
{
    options opt = {NULL, NULL, ".", NULL, 0, 1};
    setting set;
    nrx_status status;
    double begin = draw_seconds();
    int m, code = parse(argc, argv, &opt);
    if (code >= 0) return code;
    signal(SIGINT, on_interrupt);
    memset(&set, 0, sizeof set);
    progress.bar.label = "reconstructing";
    status = check_folder(opt.out);
    if (status == NRX_OK) status = load_weights(&set, &opt);
    if (status == NRX_OK) status = opt.sinogram ? measured(&opt, &set) : simulate(&opt, &set);
    for (m = 0; m < METHODS; m++) nrx_net_free(set.net[m]);
    nrx_net_checkpoint_free(set.lpd);
    draw_progress_end(&progress.bar);
    if (interrupted) { fprintf(stderr, "ct_learned: cancelled\n"); return 130; }
    if (status != NRX_OK) { /* what draw.h could not write it has said itself */
        if (first_line[0] || status != NRX_E_IO) fprintf(stderr, "ct_learned: %s\n", first_line[0] ? first_line : nrx_status_string(status));
        return 1;
    }
    printf("\n%.0f seconds; pictures and arrays are in %s\n", draw_seconds() - begin, opt.out);
    return 0;
}
