/* Iterative reconstruction: published behaviour, fixed points, duality gaps, likelihoods, the choice of lambda.
   SPDX-License-Identifier: MIT-0 OR Unlicense
   run: alloc threads */
#define NRX_TEST_POOL
#include "nrx_test.h"
#define NRX_CT_IMPLEMENTATION
#include "nrx_ct.h"
#include "nrx_test.h"

#define SHOW (getenv("NRX_TEST_SHOW") != NULL)

static float *floats(size_t n)
{
    float *p = (float *)calloc(n, sizeof *p);
    if (!p) exit(2);
    return p;
}
static double *doubles(size_t n)
{
    double *p = (double *)calloc(n, sizeof *p);
    if (!p) exit(2);
    return p;
}

/* PSNR after 1, 2, 5, 10, 20 iterations from exact line data, N = 256, 180 views, 363 bins, as ASTRA's CPU code gives them. */
static void published(void)
{
    static const int its[4] = {1, 2, 5, 10};
    static const double cgls[3][4] = {{14.481, 16.551, 22.068, 29.660}, {14.481, 16.556, 22.091, 29.138}, {14.481, 16.548, 22.058, 29.748}};
    static const double sirt[2][4] = {{14.549, 15.185, 16.444, 17.856}, {14.550, 15.187, 16.449, 17.865}};
    nrx_ct_geometry g = nrx_ct_parallel(256, 256, 180, 363);
    size_t n = nrx_ct_image_size(&g), m = nrx_ct_sino_size(&g);
    float *truth = floats(n), *x = floats(n), *b = floats(m);
    nrx_ct_ellipse e[10];
    int kernel, k;
    nrx_ct_shepp_logan(128, 1, e);
    CHECK(nrx_ct_phantom_ellipses(&g, e, 10, 0, truth) == NRX_OK);
    CHECK(nrx_ct_ellipses_project(&g, e, 10, 0, b) == NRX_OK);
    for (kernel = 0; kernel < 3; kernel++) {
        g.kernel = kernel;
        for (k = 0; k < 4; k++) {
            nrx_ct_solver d = NRX_ZERO;
            double psnr = 0;
            d.iterations = its[k];
            CHECK(nrx_ct_cgls(&g, b, x, &d) == NRX_OK);
            CHECK(nrx_ct_psnr(n, NRX_F32, x, truth, 1, NULL, &psnr) == NRX_OK);
            CHECK_NEAR(psnr, cgls[kernel][k], 0.05);
            if (SHOW) printf("cgls kernel %d its %d: %.3f (%.3f)\n", kernel, its[k], psnr, cgls[kernel][k]);
            if (k == 2) {
                CHECK(nrx_ct_lsqr(&g, b, x, &d) == NRX_OK);
                CHECK(nrx_ct_psnr(n, NRX_F32, x, truth, 1, NULL, &psnr) == NRX_OK);
                CHECK_NEAR(psnr, cgls[kernel][k], 0.05);
            }
            if (kernel == 2) continue;
            CHECK(nrx_ct_sirt(&g, b, x, &d) == NRX_OK);
            CHECK(nrx_ct_psnr(n, NRX_F32, x, truth, 1, NULL, &psnr) == NRX_OK);
            CHECK_NEAR(psnr, sirt[kernel][k], 0.05);
            if (SHOW) printf("sirt kernel %d its %d: %.3f (%.3f)\n", kernel, its[k], psnr, sirt[kernel][k]);
        }
    }
    free(truth); free(x); free(b);
}

/* A small noisy problem in f64, N = 32. */
typedef struct { nrx_ct_geometry g; size_t n, m; double *truth, *b, *x, *x2; } problem;
static problem small_problem(size_t views, double noise)
{
    problem p;
    p.g = nrx_ct_parallel(32, 32, views, 47);
    p.g.dtype = NRX_F64;
    p.n = nrx_ct_image_size(&p.g);
    p.m = nrx_ct_sino_size(&p.g);
    p.truth = doubles(p.n); p.x = doubles(p.n); p.x2 = doubles(p.n); p.b = doubles(p.m);
    CHECK(nrx_ct_phantom_shepp_logan(&p.g, p.truth) == NRX_OK);
    CHECK(nrx_ct_project(&p.g, p.truth, p.b) == NRX_OK);
    CHECK(nrx_ct_add_gaussian_noise(p.m, NRX_F64, p.b, noise, 0, 5) == NRX_OK);
    return p;
}
static void drop(problem *p) { free(p->truth); free(p->b); free(p->x); free(p->x2); }

/* The objective of TV by its definition, and the dual value by the definition of the gap, sharing nothing with the solver but A. */
static double tv_objective(const problem *p, const double *x, double lambda)
{
    double *y = doubles(p->m), fit = 0, tv = 0;
    size_t i, r, c, rows = p->g.rows, cols = p->g.cols;
    CHECK(nrx_ct_project(&p->g, x, y) == NRX_OK);
    for (i = 0; i < p->m; i++) fit += 0.5 * (y[i] - p->b[i]) * (y[i] - p->b[i]);
    for (r = 0; r < rows; r++)
        for (c = 0; c < cols; c++) {
            double dx = c + 1 < cols ? x[r * cols + c + 1] - x[r * cols + c] : 0, dy = r + 1 < rows ? x[(r + 1) * cols + c] - x[r * cols + c] : 0;
            tv += sqrt(dx * dx + dy * dy);
        }
    free(y);
    return fit + lambda * tv;
}

static void total_variation(void)
{
    problem p = small_problem(60, 0.3);
    int method, k;
    double objective[2], distance = 0, size = 0;
    size_t i;
    for (method = 0; method < 2; method++) {
        nrx_ct_solver d = NRX_ZERO;
        nrx_ct_info info;
        double history[4000];
        memset(&info, 0, sizeof info);
        info.history = history;
        info.history_size = 4000;
        d.method = method;
        d.iterations = method == NRX_CT_PDHG ? 4000 : 2000;
        d.lambda = 0.4;
        d.box = NRX_CT_BOX;
        d.lower = 0;
        d.upper = 1;
        d.tolerance = 1e-7;
        d.info = &info;
        CHECK(nrx_ct_tv(&p.g, p.b, method ? p.x2 : p.x, &d) == NRX_OK);
        CHECK(info.stop == NRX_STOP_GAP);
        CHECK(info.gap >= -1e-9 * info.objective && info.gap < 1e-6 * info.objective);
        for (k = 0; k < info.iterations; k++) CHECK(history[k] >= -1e-9 && history[k] < 1e300); /* finite always */
        objective[method] = tv_objective(&p, method ? p.x2 : p.x, d.lambda);
        CHECK_REL(info.objective, objective[method], 1e-10);
        if (SHOW) printf("tv %s: %d iterations, objective %.10g, relative gap %.2e\n", method ? "FISTA" : "PDHG", info.iterations, objective[method], info.gap / info.objective);
    }
    CHECK_REL(objective[0], objective[1], 1e-6);
    for (i = 0; i < p.n; i++) {
        distance += (p.x[i] - p.x2[i]) * (p.x[i] - p.x2[i]);
        size += p.x[i] * p.x[i];
    }
    CHECK(sqrt(distance / size) < 1e-4);
    if (SHOW) printf("tv images differ by %.2e\n", sqrt(distance / size));
    drop(&p);
}

static void fixed_points(void)
{
    problem p = small_problem(20, 0);
    nrx_ct_solver d = NRX_ZERO;
    size_t i;
    int k;
    d.warm_start = 1;
    d.iterations = 3;
    for (k = 0; k < 4; k++) {
        double worst = 0;
        memcpy(p.x, p.truth, p.n * sizeof *p.x);
        CHECK((k == 0 ? nrx_ct_sirt : k == 1 ? nrx_ct_sart : k == 2 ? nrx_ct_cgls : nrx_ct_mlem)(&p.g, p.b, p.x, &d) == NRX_OK);
        for (i = 0; i < p.n; i++) if (fabs(p.x[i] - p.truth[i]) > worst) worst = fabs(p.x[i] - p.truth[i]);
        CHECK(worst < 1e-9);
    }
    drop(&p);
}

static void emission(void)
{
    problem p = small_problem(20, 0);
    double history[20], sum = 0, counts = 0;
    nrx_ct_solver d = NRX_ZERO;
    nrx_ct_info info;
    nrx_rng r;
    size_t i;
    int k;
    memset(&info, 0, sizeof info);
    info.history = history;
    info.history_size = 20;
    d.info = &info;
    d.iterations = 20;
    nrx_rng_seed(&r, 3, 0);
    for (i = 0; i < p.m; i++) { p.b[i] = nrx_ct_poisson(&r, 3 * p.b[i]); counts += p.b[i]; }
    CHECK(nrx_ct_mlem(&p.g, p.b, p.x, &d) == NRX_OK);
    for (k = 1; k < 20; k++) CHECK(history[k] >= history[k - 1] - 1e-9 * fabs(history[k]));
    CHECK(nrx_ct_project(&p.g, p.x, p.b) == NRX_OK);
    for (i = 0; i < p.m; i++) sum += p.b[i];
    CHECK_REL(sum, counts, 1e-6);
    for (i = 0; i < p.n; i++) CHECK(p.x[i] >= 0);
    drop(&p);
}

/* CGLS against the normal equations of a small problem, solved densely here. */
static void dense(void)
{
    nrx_ct_geometry g = nrx_ct_parallel(6, 5, 12, 11);
    enum { N = 30, M = 132 };
    static double a[M][N], ata[N][N + 1], unit[N], b[M], x[N];
    nrx_ct_solver d = NRX_ZERO;
    nrx_test_rng r = {9};
    size_t i, j, k;
    g.dtype = NRX_F64;
    for (j = 0; j < N; j++) {
        double column[M];
        memset(unit, 0, sizeof unit);
        unit[j] = 1;
        CHECK(nrx_ct_project(&g, unit, column) == NRX_OK);
        for (i = 0; i < M; i++) a[i][j] = column[i];
    }
    for (i = 0; i < M; i++) b[i] = nrx_test_signed(&r);
    for (i = 0; i < N; i++)
        for (j = 0; j <= N; j++)
            for (ata[i][j] = 0, k = 0; k < M; k++) ata[i][j] += a[k][i] * (j < N ? a[k][j] : b[k]);
    for (k = 0; k < N; k++)
        for (i = 0; i < N; i++)
            if (i != k) {
                double f = ata[i][k] / ata[k][k];
                for (j = k; j <= N; j++) ata[i][j] -= f * ata[k][j];
            }
    d.iterations = 300;
    CHECK(nrx_ct_cgls(&g, b, x, &d) == NRX_OK);
    for (i = 0; i < N; i++) CHECK_NEAR(x[i], ata[i][N] / ata[i][i], 1e-8);
    CHECK(nrx_ct_lsqr(&g, b, x, &d) == NRX_OK);
    for (i = 0; i < N; i++) CHECK_NEAR(x[i], ata[i][N] / ata[i][i], 1e-8);
}

static nrx_status half_square(void *user, const void *x, double *value, void *grad)
{
    size_t i, n = *(const size_t *)user;
    double s = 0;
    for (i = 0; i < n; i++) s += 0.5 * ((const double *)x)[i] * ((const double *)x)[i];
    if (value) *value = s;
    if (grad) memcpy(grad, x, n * sizeof(double));
    return NRX_OK;
}

/* With R = |x|^2 / 2 the variational problem is damped least squares, which LSQR solves otherwise. */
static void variational(void)
{
    problem p = small_problem(20, 0.1);
    nrx_ct_solver d = NRX_ZERO;
    nrx_functional R;
    nrx_ct_smooth_tv store;
    double worst = 0, before, after;
    size_t i;
    memset(&R, 0, sizeof R);
    R.eval = half_square;
    R.user = &p.n;
    R.n = p.n;
    R.dtype = NRX_F64;
    R.convexity = NRX_CONVEX;
    R.lip = 1;
    d.lambda = 4;
    d.iterations = 2000;
    CHECK(nrx_ct_variational(&p.g, p.b, &R, p.x, &d) == NRX_OK);
    d.lambda = 2;
    d.iterations = 400;
    CHECK(nrx_ct_lsqr(&p.g, p.b, p.x2, &d) == NRX_OK);
    for (i = 0; i < p.n; i++) if (fabs(p.x[i] - p.x2[i]) > worst) worst = fabs(p.x[i] - p.x2[i]);
    CHECK(worst < 1e-5);
    if (SHOW) printf("variational against lsqr: %.2e\n", worst);
    /* smoothed TV beats least squares on few noisy views */
    CHECK(nrx_ct_tv_functional(&p.g, 0.01, &store, &R) == NRX_OK);
    CHECK(nrx_ct_nrmse(p.n, NRX_F64, p.x2, p.truth, NULL, &before) == NRX_OK);
    d.lambda = 0.2;
    d.box = NRX_CT_LOWER;
    CHECK(nrx_ct_variational(&p.g, p.b, &R, p.x, &d) == NRX_OK);
    CHECK(nrx_ct_nrmse(p.n, NRX_F64, p.x, p.truth, NULL, &after) == NRX_OK);
    CHECK(after < 0.6 * before);
    if (SHOW) printf("smoothed tv error %.3f, damped least squares %.3f\n", after, before);
    drop(&p);
}

static void weights(void)
{
    problem p = small_problem(20, 0.1);
    double *w = doubles(p.m), *half = doubles(p.m), worst = 0;
    nrx_ct_geometry sub = nrx_ct_geometry_subset(&p.g, 0, 2, 0);
    nrx_ct_solver d = NRX_ZERO;
    size_t i;
    for (i = 0; i < p.m; i++) w[i] = (i / p.g.bins) % 2 == 0; /* weight zero: the view is not there */
    CHECK(nrx_ct_sino_subset(&p.g, p.b, 0, 2, 0, half) == NRX_OK);
    d.iterations = 8;
    CHECK(nrx_ct_cgls(&sub, half, p.x, &d) == NRX_OK);
    d.weights = w;
    CHECK(nrx_ct_cgls(&p.g, p.b, p.x2, &d) == NRX_OK);
    for (i = 0; i < p.n; i++) if (fabs(p.x[i] - p.x2[i]) > worst) worst = fabs(p.x[i] - p.x2[i]);
    CHECK(worst < 1e-10);
    drop(&p);
    free(w); free(half);
}

/* Weighted ordered subsets: views of weight zero may hold anything, consistent data lower the residual and keep their object. */
static void weighted_subsets(void)
{
    problem p = small_problem(40, 0);
    double *w = doubles(p.m), before, worst = 0;
    nrx_ct_solver d = NRX_ZERO;
    nrx_ct_info info;
    size_t i;
    memset(&info, 0, sizeof info);
    d.info = &info;
    d.weights = w;
    d.subsets = 5;
    d.iterations = 5;
    for (i = 0; i < p.m; i++) {
        size_t view = i / p.g.bins;
        w[i] = view % 7 == 3 ? 0 : 0.2 + (double)(i % 5) / 5;
        if (view % 7 == 3) p.b[i] = 1e3;
    }
    CHECK(nrx_ct_sart(&p.g, p.b, p.x, &d) == NRX_OK);
    before = info.residual;
    d.iterations = 100;
    CHECK(nrx_ct_sart(&p.g, p.b, p.x, &d) == NRX_OK);
    CHECK(info.residual < 0.1 * before);
    if (SHOW) printf("weighted subsets: residual %.2e after 5 sweeps, %.2e after 100\n", before, info.residual);
    d.warm_start = 1;
    memcpy(p.x, p.truth, p.n * sizeof *p.x);
    CHECK(nrx_ct_sart(&p.g, p.b, p.x, &d) == NRX_OK);
    for (i = 0; i < p.n; i++) if (fabs(p.x[i] - p.truth[i]) > worst) worst = fabs(p.x[i] - p.truth[i]);
    CHECK(worst < 1e-9);
    drop(&p);
    free(w);
}

/* Cross-validation and GCV find a lambda whose image is within 15 % of the best on a grid. Discrepancy smooths more by its nature and the corner
   of the L-curve less, so these are held to their definitions: the residual equals the norm of the noise; the corner is where three
   neighbouring points of the curve lie on the smallest circle (or next to it). */
static void choices(void)
{
    problem p = small_problem(24, 0.5);
    double best = 1e9, l, sigma = 0, norm;
    int rule, k;
    size_t i;
    nrx_ct_solver base = NRX_ZERO;
    base.iterations = 150;
    base.box = NRX_CT_BOX;
    base.upper = 1;
    for (l = 0.01; l < 20; l *= 2) {
        double e;
        nrx_ct_solver d = base;
        d.lambda = l;
        CHECK(nrx_ct_tv(&p.g, p.b, p.x, &d) == NRX_OK);
        CHECK(nrx_ct_nrmse(p.n, NRX_F64, p.x, p.truth, NULL, &e) == NRX_OK);
        if (e < best) best = e;
    }
    CHECK(nrx_ct_noise_level(&p.g, p.b, &sigma) == NRX_OK);
    CHECK(sigma > 0.4 && sigma < 0.9); /* structure at the pixel scale adds to 0.5 */
    for (rule = 0; rule < 4; rule++) {
        nrx_ct_choice how = NRX_ZERO;
        nrx_ct_solver d = base;
        double e = 0, lambda = 0;
        how.rule = rule;
        how.noise = 0.5;
        how.lambda_min = 0.01;
        how.lambda_max = 20;
        how.steps = 9;
        CHECK(nrx_ct_choose_lambda(&p.g, p.b, NULL, &base, &how, &lambda) == NRX_OK);
        d.lambda = lambda;
        CHECK(nrx_ct_tv(&p.g, p.b, p.x, &d) == NRX_OK);
        CHECK(nrx_ct_nrmse(p.n, NRX_F64, p.x, p.truth, NULL, &e) == NRX_OK);
        if (rule == NRX_CT_HELD_OUT || rule == NRX_CT_GCV) CHECK(e < 1.15 * best);
        if (rule == NRX_CT_DISCREPANCY) {
            double r = 0;
            CHECK(nrx_ct_residual(&p.g, p.x, p.b, &r) == NRX_OK);
            for (i = 0, norm = 0; i < p.m; i++) norm += p.b[i] * p.b[i];
            CHECK_REL(r * sqrt(norm), 0.5 * sqrt((double)p.m), 0.01);
        }
        if (rule == NRX_CT_L_CURVE) {
            double fit[9], tv[9], sharpest = 0;
            int corner = 0;
            for (k = 0; k < 9; k++) {
                double r = 0;
                d.lambda = 0.01 * pow(2000, k / 8.0);
                CHECK(nrx_ct_tv(&p.g, p.b, p.x, &d) == NRX_OK && nrx_ct_residual(&p.g, p.x, p.b, &r) == NRX_OK);
                fit[k] = log(r);
                tv[k] = log(tv_objective(&p, p.x, 1) - tv_objective(&p, p.x, 0));
            }
            for (k = 1; k < 8; k++) { /* four times the area over the product of the sides */
                double a = hypot(fit[k] - fit[k - 1], tv[k] - tv[k - 1]), b = hypot(fit[k + 1] - fit[k], tv[k + 1] - tv[k]), c = hypot(fit[k + 1] - fit[k - 1], tv[k + 1] - tv[k - 1]);
                double bend = 2 * fabs((fit[k] - fit[k - 1]) * (tv[k + 1] - tv[k - 1]) - (fit[k + 1] - fit[k - 1]) * (tv[k] - tv[k - 1])) / (a * b * c);
                if (bend > sharpest) { sharpest = bend; corner = k; }
            }
            CHECK(fabs(log(lambda / 0.01) / log(2000) * 8 - corner) < 1.01);
        }
        if (rule == NRX_CT_HELD_OUT) { /* weights of one change nothing; the other rules refuse them */
            double *w = doubles(p.m), same = 0;
            nrx_ct_solver weighted = base;
            for (i = 0; i < p.m; i++) w[i] = 1;
            weighted.weights = w;
            CHECK(nrx_ct_choose_lambda(&p.g, p.b, NULL, &weighted, &how, &same) == NRX_OK && same == lambda);
            how.rule = NRX_CT_GCV;
            CHECK(nrx_ct_choose_lambda(&p.g, p.b, NULL, &weighted, &how, &same) == NRX_E_UNSUPPORTED);
            free(w);
        }
        if (SHOW) printf("rule %d: lambda %.3f, error %.4f (best %.4f)\n", rule, lambda, e, best);
    }
    drop(&p);
}

static nrx_status each_solver(const nrx_env *env, int k)
{
    nrx_ct_geometry g = nrx_ct_parallel(8, 8, 6, 11);
    static float x[64], b[66];
    nrx_ct_solver d = NRX_ZERO;
    int i;
    g.env = *env;
    for (i = 0; i < 66; i++) b[i] = 1;
    d.iterations = 2;
    d.method = k == 4;
    switch (k) {
    case 0: return nrx_ct_sirt(&g, b, x, &d);
    case 1: return nrx_ct_sart(&g, b, x, &d);
    case 2: return nrx_ct_cgls(&g, b, x, &d);
    case 3:
    case 4: return nrx_ct_tv(&g, b, x, &d);
    case 5: return nrx_ct_mlem(&g, b, x, &d);
    case 6: return nrx_ct_lsqr(&g, b, x, &d);
    case 7: return nrx_ct_variational(&g, b, NULL, x, &d);
    default: d.weights = b; return nrx_ct_cgls(&g, b, x, &d);
    }
}

static void allocations(void)
{
    nrx_env env = NRX_ZERO;
    nrx_test_heap heap;
    int k;
    for (k = 0; k < 9; k++) NRX_TEST_EACH_ALLOC(env, heap, each_solver(&env, k), (void)0);
}

static int stop_at_two(void *user, size_t done, size_t total, double value)
{
    (void)total; (void)value;
    return ++*(int *)user >= 2 && done >= 2;
}

static void errors(void)
{
    nrx_ct_geometry g = nrx_ct_parallel(8, 8, 6, 11);
    float x[64], b[66];
    nrx_ct_solver d = NRX_ZERO;
    nrx_test_log_state log = {0, 0, ""};
    int calls = 0, i;
    NRX_TEST_LOG_ENV(g.env, log);
    for (i = 0; i < 66; i++) b[i] = 1;
    d.lambda = -1;
    CHECK(nrx_ct_tv(&g, b, x, &d) == NRX_E_ARG && strstr(log.last, "lambda"));
    d.lambda = 0;
    d.box = NRX_CT_BOX;
    d.lower = 2;
    CHECK(nrx_ct_tv(&g, b, x, &d) == NRX_E_ARG && strstr(log.last, "box"));
    d.box = 0;
    b[3] = (float)HUGE_VAL;
    CHECK_ALWAYS(nrx_ct_sirt(&g, b, x, &d) == NRX_E_NUMERIC && strstr(log.last, "NaN"));
    CHECK_ALWAYS(nrx_ct_cgls(&g, b, x, &d) == NRX_E_NUMERIC);
    b[3] = -1;
    CHECK(nrx_ct_mlem(&g, b, x, &d) == NRX_E_ARG && strstr(log.last, "count"));
    b[3] = 1;
    CHECK(nrx_ct_sirt(&g, NULL, x, &d) == NRX_E_ARG);
    CHECK(nrx_ct_sirt(&g, b, b, &d) == NRX_E_ARG);
    g.env.progress = stop_at_two;
    g.env.progress_user = &calls;
    d.iterations = 50;
    CHECK(nrx_ct_sirt(&g, b, x, &d) == NRX_E_CANCELLED && calls == 2);
}

static void threads(void)
{
    problem p = small_problem(20, 0.1);
    nrx_ct_solver d = NRX_ZERO;
    int workers;
    NRX_TEST_POOL_ENV(p.g.env, workers);
    d.iterations = 5;
    d.lambda = 0.1;
    CHECK(nrx_ct_tv(&p.g, p.b, p.x, &d) == NRX_OK);
    nrx_test_checksum("tv", p.x, p.n * sizeof *p.x);
    CHECK(nrx_ct_sart(&p.g, p.b, p.x, &d) == NRX_OK);
    nrx_test_checksum("sart", p.x, p.n * sizeof *p.x);
    drop(&p);
}

int main(void)
{
#if defined(NRX_TEST_ALLOC)
    allocations();
#elif defined(NRX_TEST_THREADS)
    threads();
#else
    dense();
    fixed_points();
    emission();
    variational();
    weights();
    weighted_subsets();
    total_variation();
    choices();
    errors();
    allocations();
    threads();
    published();
#endif
    return nrx_test_end();
}
