/* A measured scan: filtered back projection and total variation from nearly all views and from a quarter of them. Every eighth view is kept
   for the test and used by neither; lambda comes from the quarter alone (cross-validation).
   cc -O2 examples/ct_measured.c -o ct_measured -lm && ./ct_measured
   takes a small noisy scan of a phantom; a measured one by ./ct_measured SINOGRAM.npy GEOMETRY.geom [CENTRE]
   CENTRE overrides the rotation centre (bin index).
   SPDX-License-Identifier: MIT-0 OR Unlicense */
// expect: FBP from all but the test views: relative residual on the test views 0\.0[0-9]
// expect: TV +from a quarter +: relative residual on the test views 0\.0[0-9]
#define NRX_VERBOSE
#define NRX_CT_IMPLEMENTATION
#include "../nrx_ct.h"
#include "draw.h"

static int stand_in(nrx_ct_geometry *g, void **sino)
{
    nrx_ct_noise noise = NRX_ZERO;
    nrx_ct_ellipse head[10];
    int i;
    *g = nrx_ct_fan_flat(128, 128, 180, 185, 300, 450, 1.6);
    *sino = malloc(nrx_ct_sino_size(g) * sizeof(float));
    nrx_ct_shepp_logan(60, 1, head);
    for (i = 0; i < 10; i++) head[i].value *= 0.03;
    noise.photons = 20000;
    noise.seed = 3;
    return *sino && nrx_ct_ellipses_project(g, head, 10, -1, *sino) == NRX_OK
        && nrx_ct_add_poisson_noise(nrx_ct_sino_size(g), g->bins, NRX_F32, *sino, &noise) == NRX_OK;
}

/* Grey range: 0.5 and 99.5 percent of the reference picture. */
static int compare_floats(const void *a, const void *b) { return (*(const float *)a > *(const float *)b) - (*(const float *)a < *(const float *)b); }
static void grey_range(const float *image, size_t n, double *lo, double *hi)
{
    float *s = (float *)malloc(n * sizeof *s);
    if (!s) return;
    memcpy(s, image, n * sizeof *s);
    qsort(s, n, sizeof *s, compare_floats);
    *lo = (double)s[n / 200];
    *hi = (double)s[n - 1 - n / 200];
    free(s);
}

/* The scan without views 2, 10, 18, ...; angles and data in new arrays. */
static int without_test(const nrx_ct_geometry *g, const float *sino, nrx_ct_geometry *most, double *angles, float *data)
{
    size_t i, n = 0, row = g->bins;
    for (i = 0; i < g->views; i++) {
        if (i % 8 == 2) continue;
        angles[n] = nrx_ct_angle(g, i);
        memcpy(data + n * row, sino + i * row, row * sizeof *data);
        n++;
    }
    *most = *g;
    most->angles = angles;
    most->stride = 1;
    most->views = n;
    most->owned = NULL;
    return n > 0;
}

int main(int argc, char **argv)
{
    nrx_ct_geometry g, quarter, left_out, most;
    void *sino = NULL;
    float *image, *part, *test, *rest;
    double *angles;
    double lo = 0, hi = 1, lambda = 0, sigma = 0;
    int from_file = argc > 2, k, ok, w, h;
    draw_canvas c;
    if (from_file) {
        if (nrx_ct_geometry_load(argv[2], &g, NULL) != NRX_OK) return 1;
        if (argc > 3) g.offset = (0.5 * ((double)g.bins - 1) - atof(argv[3])) * g.pitch;
        if (nrx_ct_load_npy(argv[1], NRX_F32, nrx_ct_sino_size(&g), &sino, NULL) != NRX_OK) return 1;
    } else if (!stand_in(&g, &sino)) return 1;
    w = (int)g.cols;
    h = (int)g.rows;
    quarter = nrx_ct_geometry_subset(&g, 0, 4, 0);
    left_out = nrx_ct_geometry_subset(&g, 2, 8, 0); /* halfway between the views of the quarter */
    image = (float *)malloc(nrx_ct_image_size(&g) * sizeof *image);
    part = (float *)malloc(nrx_ct_sino_size(&g) * sizeof *part);
    test = (float *)malloc(nrx_ct_sino_size(&g) * sizeof *test);
    rest = (float *)malloc(nrx_ct_sino_size(&g) * sizeof *rest);
    angles = (double *)malloc(g.views * sizeof *angles);
    ok = image && part && test && rest && angles && without_test(&g, (const float *)sino, &most, angles, rest)
      && nrx_ct_sino_subset(&g, sino, 0, 4, 0, part) == NRX_OK && nrx_ct_sino_subset(&g, sino, 2, 8, 0, test) == NRX_OK
      && nrx_ct_noise_level(&g, sino, &sigma) == NRX_OK;
    printf("%zu views of %zu bins, image %zux%zu, noise level about %.4f\n", g.views, g.bins, g.rows, g.cols, sigma);
    c = draw_new(10 + 2 * (w + 10), 2 * (h + 24) + 10, 0xffffff);
    for (k = 0; k < 4 && ok; k++) {
        const nrx_ct_geometry *used = k & 1 ? &quarter : &most;
        const float *data = k & 1 ? part : rest;
        const char *name = k & 1 ? "a quarter" : "all but the test views";
        double residual = 0, times = k & 1 ? 1 : (double)most.views / (double)quarter.views; /* the fidelity grows with the data */
        char text[96];
        if (k < 2) ok = nrx_ct_fbp(used, data, image, NULL) == NRX_OK;
        else {
            nrx_ct_solver d = NRX_ZERO;
            nrx_ct_info info = NRX_ZERO;
            nrx_ct_geometry shown = *used;
            draw_bar bar = {"TV", 0, 0};
            d.box = NRX_CT_LOWER; /* attenuation is not negative */
            d.iterations = 60;
            if (k == 2) { /* from the quarter: it is small, and the rest must not be looked at */
                nrx_ct_choice how = NRX_ZERO;
                how.steps = 6;
                how.folds = 3;
                printf("choosing lambda ...\n");
                ok = nrx_ct_choose_lambda(&quarter, part, NULL, &d, &how, &lambda) == NRX_OK;
            }
            d.lambda = times * lambda;
            d.iterations = 150;
            d.info = &info;
            shown.env.progress = draw_progress;
            shown.env.progress_user = &bar;
            ok = ok && nrx_ct_tv(&shown, data, image, &d) == NRX_OK;
        }
        ok = ok && nrx_ct_residual(&left_out, image, test, &residual) == NRX_OK;
        if (k % 2 == 0) grey_range(image, nrx_ct_image_size(&g), &lo, &hi); /* limited angles: FBP is not quantitative */
        printf("%-3s from %-22s: relative residual on the test views %.4f", k < 2 ? "FBP" : "TV", name, residual);
        if (k >= 2) printf(", lambda %.4g", times * lambda);
        printf("\n");
        draw_image(&c, 10 + (k & 1) * (w + 10), 20 + (k >> 1) * (h + 24), 1, image, w, h, lo, hi, DRAW_GRAY);
        snprintf(text, sizeof text, "%s, %d views: %.4f", k < 2 ? "FBP" : "TV", (int)used->views, residual);
        draw_text(&c, 10 + (k & 1) * (w + 10), 8 + (k >> 1) * (h + 24), 1, 0, text);
    }
    ok = ok && draw_save(&c, "ct_measured.png");
    draw_free(&c);
    free(image); free(part); free(test); free(rest); free(angles);
    if (from_file) { nrx_ct_free(sino, NULL); nrx_ct_geometry_free(&g); }
    else free(sino);
    return !ok;
}
