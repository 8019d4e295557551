/* Degenerate and hostile input: every call gives a status and one line that says what is wrong, and leaves its output alone.
   SPDX-License-Identifier: MIT-0 OR Unlicense */
#include "nrx_test.h"
#define NRX_CT_IMPLEMENTATION
#include "nrx_ct.h"
#include "nrx_test.h"

enum { N = 12, V = 9, B = 17, CALLS = 17 };
static const char *const name[CALLS] = {"project", "backproject", "fbp", "sirt", "sart", "cgls", "lsqr", "mlem", "tv", "tv_fista", "variational", "norm", "choose_lambda",
                                        "calibrate", "remove_rings", "ellipses_project", "fdk"};

/* Call number k of a geometry; in: what it reads, out: what it writes (both large enough for image and sinogram). */
static nrx_status call(int k, nrx_ct_geometry g, float *in, float *out)
{
    nrx_ct_solver d = NRX_ZERO;
    nrx_ct_choice how = NRX_ZERO;
    nrx_ct_ellipse e = {0, 0, 0, 3, 2, 0, 0, 1};
    double v;
    d.iterations = 2;
    how.steps = 2;
    switch (k) {
    case 0: return nrx_ct_project(&g, in, out);
    case 1: return nrx_ct_backproject(&g, in, out);
    case 2: return nrx_ct_fbp(&g, in, out, NULL);
    case 3: return nrx_ct_sirt(&g, in, out, &d);
    case 4: return nrx_ct_sart(&g, in, out, &d);
    case 5: return nrx_ct_cgls(&g, in, out, &d);
    case 6: return nrx_ct_lsqr(&g, in, out, &d);
    case 7: return nrx_ct_mlem(&g, in, out, &d);
    case 9: d.method = NRX_CT_FISTA; /* fall through */
    case 8: d.lambda = 0.1; return nrx_ct_tv(&g, in, out, &d);
    case 10: return nrx_ct_variational(&g, in, NULL, out, &d);
    case 11: return nrx_ct_norm(&g, 2, &v, NULL);
    case 12: return nrx_ct_choose_lambda(&g, in, NULL, &d, &how, &v);
    case 13: return nrx_ct_calibrate(&g, in, 1u << NRX_CT_BY_OFFSET, 1, 2, &v);
    case 14: return nrx_ct_remove_rings(&g, out, 5);
    case 15: return nrx_ct_ellipses_project(&g, &e, 1, 0, out);
    default: return nrx_ct_fdk(&g, in, out, NULL);
    }
}

static nrx_ct_geometry fan(void) { return nrx_ct_fan_flat(N, N, V, B, 40, 60, 1.5); }

static void geometries(void)
{
    static const struct { const char *what, *says; nrx_status status; } cases[] = {
        {"no views", "0 views", NRX_E_SHAPE},           {"no bins", "0 bins", NRX_E_SHAPE},              {"no rows", "0 rows", NRX_E_SHAPE},
        {"source inside", "inside the image", NRX_E_ARG}, {"negative pitch", "pitch is -1", NRX_E_ARG},  {"negative pixel", "pixel is -1", NRX_E_ARG},
        {"zero pixel", "pixel is 0", NRX_E_ARG},        {"NaN pitch", "pitch is", NRX_E_ARG},            {"infinite offset", "offset is", NRX_E_ARG},
        {"rows overflow", "too large", NRX_E_RANGE},    {"views overflow", "too large", NRX_E_RANGE},    {"product overflow", "too large", NRX_E_RANGE},
        {"NaN angle", "angle of view 4", NRX_E_ARG},    {"no vectors", "needs vectors", NRX_E_ARG},      {"unknown kind", "kind 77", NRX_E_ARG},
        {"unknown kernel", "kernel -3", NRX_E_ARG},     {"unknown dtype", "dtype 2", NRX_E_ARG},         {"negative sdd", "sdd is -5", NRX_E_ARG},
        {"zero sod", "sod is 0", NRX_E_ARG},            {"curved too wide", "curved detector spans", NRX_E_ARG}};
    static float in[400], out[400], before[400];
    static double angles[V];
    size_t c, i;
    int k;
    for (c = 0; c < sizeof cases / sizeof *cases; c++)
        for (k = 0; k < CALLS; k++) {
            nrx_ct_geometry g = fan();
            nrx_test_log_state log = {0, 0, ""};
            nrx_status status;
            const double hole = HUGE_VAL;
            NRX_TEST_LOG_ENV(g.env, log);
            for (i = 0; i < 400; i++) { in[i] = 1; out[i] = before[i] = (float)i; }
            switch (c) {
            case 0: g.views = 0; break;
            case 1: g.bins = 0; break;
            case 2: g.rows = 0; break;
            case 3: g.sod = 3; break;
            case 4: g.pitch = -1; break;
            case 5: g.pixel = -1; break;
            case 6: g.pixel = 0; break;
            case 7: g.pitch = hole - hole; break;
            case 8: g.offset = hole; break;
            case 9: g.rows = (size_t)-1; break;
            case 10: g.views = (size_t)-1 / 2; break;
            case 11: g.rows = g.cols = 0x3fffffff; g.slices = 0x3fffffff; break;
            case 12: for (i = 0; i < V; i++) angles[i] = i == 4 ? hole - hole : 0.1 * (double)i; g.angles = angles; break;
            case 13: g.kind = NRX_CT_VECTOR_DIVERGENT; break;
            case 14: g.kind = 77; break;
            case 15: g.kernel = -3; break;
            case 16: g.dtype = NRX_I64; break;
            case 17: g.sdd = -5; break;
            case 18: g.sod = 0; break;
            default: g.kind = NRX_CT_FAN_CURVED; g.pitch = 60; break;
            }
            if (c == 11 && k == 2) continue; /* says that three dimensions belong to fdk */
            status = call(k, g, in, out);
            CHECK_ALWAYS(status == cases[c].status && log.lines == 1 && strstr(log.last, cases[c].says) && memcmp(out, before, sizeof out) == 0);
            if (status != cases[c].status || log.lines != 1 || !strstr(log.last, cases[c].says))
                printf("%s, %s: status %d, %d lines, \"%s\"\n", cases[c].what, name[k], (int)status, log.lines, log.last);
        }
}

/* NaN and infinity in data that are to be reconstructed are refused; projectors pass them on (they are linear maps). */
static void numbers(void)
{
    static float in[400], out[400], before[400];
    int k, bad;
    size_t i;
    for (bad = 0; bad < 2; bad++)
        for (k = 0; k < CALLS; k++) {
            nrx_ct_geometry g = fan();
            nrx_test_log_state log = {0, 0, ""};
            nrx_status status;
            int seen = 0;
            if (k == 11 || k == 15) continue; /* these read no data */
            NRX_TEST_LOG_ENV(g.env, log);
            for (i = 0; i < 400; i++) { in[i] = 1; out[i] = before[i] = (float)i; }
            in[70] = out[70] = before[70] = (float)(bad ? HUGE_VAL : HUGE_VAL - HUGE_VAL);
            status = call(k, g, in, out);
            if (k < 2) {
                for (i = 0; i < (k ? (size_t)N * N : (size_t)V * B); i++) seen |= !nrxi_finite_f32(&out[i]);
                CHECK_ALWAYS(status == NRX_OK && seen);
                continue;
            }
            CHECK_ALWAYS(status == NRX_E_NUMERIC && log.lines == 1 && strstr(log.last, "NaN or an infinity") && memcmp(out, before, sizeof out) == 0);
            if (status != NRX_E_NUMERIC || log.lines != 1) printf("bad number, %s: status %d, %d lines, \"%s\"\n", name[k], (int)status, log.lines, log.last);
        }
}

/* NULL arguments and one array for both sides. */
static void pointers(void)
{
    static float x[400];
    int k;
    for (k = 0; k < CALLS; k++) {
        nrx_ct_geometry g = fan();
        nrx_test_log_state log = {0, 0, ""};
        NRX_TEST_LOG_ENV(g.env, log);
        if (k == 11) continue;
        CHECK(call(k, g, NULL, NULL) == NRX_E_ARG && log.lines == 1 && log.last[0]);
        if (k >= 12 && k <= 15) continue; /* in place, or with one array */
        log.lines = 0;
        CHECK(call(k, g, x, x) == NRX_E_ARG && log.lines == 1 && log.last[0]);
    }
}

/* Every prefix of a file of each kind, in memory: a status other than ok, with its line, or (text) a smaller valid file. */
static void truncated(void)
{
    static const char *const file[4] = {"ct_cut.npy", "ct_cut.tif", "ct_cut.mha", "ct_cut.pgm"};
    const size_t shape[3] = {2, 3, 5};
    float x[30];
    int k;
    size_t i;
    for (i = 0; i < 30; i++) x[i] = (float)i;
    for (k = 0; k < 4; k++) {
        unsigned char bytes[4096];
        size_t size = 0, n;
        FILE *f;
        CHECK(nrx_ct_image_save(file[k], NRX_F32, x, shape, NULL, 0, 30, NULL) == NRX_OK);
        f = fopen(file[k], "rb");
        if (f) { size = fread(bytes, 1, sizeof bytes, f); fclose(f); }
        CHECK(size > 40);
        for (n = 0; n < size; n++) {
            nrx_test_log_state log = {0, 0, ""};
            nrx_env env = NRX_ZERO;
            void *data = NULL;
            size_t s[3];
            nrx_status status;
            NRX_TEST_LOG_ENV(env, log);
            status = nrx_ct_image_decode(bytes, n, NRX_F32, &data, s, NULL, &env);
            CHECK(status != NRX_OK && log.lines == 1 && log.last[0] && data == NULL);
            if (status == NRX_OK) { printf("%s cut to %d of %d bytes is read\n", file[k], (int)n, (int)size); nrx_ct_free(data, &env); }
            else if (log.lines != 1) printf("%s cut to %d bytes: status %d, %d lines\n", file[k], (int)n, (int)status, log.lines);
        }
        f = fopen(file[k], "wb"); /* and from a path */
        if (f) {
            void *data = NULL;
            size_t s[3];
            nrx_test_log_state log = {0, 0, ""};
            nrx_env env = NRX_ZERO;
            CHECK(fwrite(bytes, 1, size / 2, f) == size / 2);
            fclose(f);
            NRX_TEST_LOG_ENV(env, log);
            CHECK(nrx_ct_image_load(file[k], NRX_F32, &data, s, NULL, &env) != NRX_OK && data == NULL && log.lines == 1);
            if (k == 0) CHECK(nrx_ct_load_npy(file[k], NRX_F32, 30, &data, &env) != NRX_OK && data == NULL && log.lines == 2);
        }
        remove(file[k]);
    }
}

/* Tiny but valid scans are scans: a status of ok and finite numbers. */
static void tiny(void)
{
    static float in[64], out[64];
    int k, shape;
    size_t i;
    for (shape = 0; shape < 4; shape++)
        for (k = 0; k < CALLS; k++) {
            nrx_ct_geometry g = nrx_ct_parallel(shape & 1 ? 1 : 5, shape & 1 ? 1 : 4, shape & 2 ? 1 : 3, shape & 2 ? 1 : 6);
            nrx_test_log_state log = {0, 0, ""};
            nrx_status status;
            if (k == 12 || k == 13) continue; /* nothing to choose from, nothing to calibrate */
            NRX_TEST_LOG_ENV(g.env, log);
            for (i = 0; i < 64; i++) { in[i] = 1; out[i] = 0; }
            status = call(k, g, in, out);
            CHECK(status == NRX_OK);
            if (status != NRX_OK) printf("tiny %d, %s: %d \"%s\"\n", shape, name[k], (int)status, log.last);
            for (i = 0; i < 64; i++) CHECK(nrxi_finite_f32(&out[i]));
        }
}

int main(void)
{
    geometries();
    numbers();
    pointers();
    truncated();
    tiny();
    return nrx_test_end();
}
