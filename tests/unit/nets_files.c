/* SPDX-License-Identifier: MIT-0 OR Unlicense
   run: alloc
   Checkpoints: files written by PyTorch are read and the networks in them give PyTorch's values and gradients; what nrx writes comes back to
   the bit; damaged files are refused by name. Whole ICNN and IWCNN with formula weights against stored PyTorch values (f64; tests/ref/nets_torch.py prints them), penalty included. */
#include "../nrx_test.h"
#define NRX_NETS_IMPLEMENTATION
#include "nrx_nets.h"
#include "../nets_samples.h"

static float formula(size_t i, size_t k) { return ((float)((i * 7 + k * 3) % 16) - 7.5f) / 32.0f; }

static nrx_test_log_state lines;
static void remember(void *user, nrx_status status, const char *line)
{
    nrx_test_log_state *l = (nrx_test_log_state *)user;
    l->lines++;
    l->status = (int)status;
    strncpy(l->last, line, sizeof l->last - 1);
}

static nrx_env quiet(void)
{
    nrx_env env = NRX_ZERO;
    env.log = remember;
    env.log_user = &lines;
    return env;
}

/* Value and three gradient entries on the 6 x 7 test image. */
static void against(nrx_net *net, double value, double g0, double g10, double g41)
{
    nrx_functional f;
    float x[42], g[42];
    double v;
    size_t i;
    for (i = 0; i < 42; i++) x[i] = (float)(i * 5 % 9) / 9.0f;
    CHECK(nrx_net_functional(net, 6, 7, NULL, &f) == NRX_OK);
    CHECK(f.eval(f.user, x, &v, g) == NRX_OK);
    CHECK_REL(v, value, 3e-6);
    CHECK_NEAR(g[0], g0, 3e-6); CHECK_NEAR(g[10], g10, 3e-6); CHECK_NEAR(g[41], g41, 3e-6);
    nrx_net_functional_free(&f);
}

static void pytorch_files(void)
{
    nrx_net_checkpoint *c;
    nrx_net_load_desc d = NRX_ZERO;
    nrx_net *net;
    const nrx_net_weight *w;
    double weight, scale;
    size_t i, j;
    nrx_net_report r;
    CHECK(nrx_net_checkpoint_read(sample_crr_zip, sizeof sample_crr_zip, NULL, &c) == NRX_OK);
    CHECK(nrx_net_checkpoint_count(c) == 7);
    w = nrx_net_checkpoint_find(c, "regularizer.filters.1.weight");
    CHECK(w && w->ndim == 4 && w->shape[0] == 2 && w->shape[3] == 3 && w->count == 36);
    if (w) for (i = 0; i < 36; i++) CHECK(w->data[i] == formula(i, 3));
    d.weakly_convex = -1;
    CHECK(nrx_net_load_checkpoint(c, &d, &net) == NRX_OK);
    nrx_net_scaling(net, &weight, &scale);
    CHECK_REL(weight, exp(0.5), 1e-7); CHECK_REL(scale, exp(-0.25), 1e-7);
    against(net, 0.7340159014311778, -0.3770202274091257, 0.44385685926288504, 0.03295031350518844);
    CHECK(nrx_net_certify(net, 6, 7, &r) == NRX_OK && r.convexity == NRX_CONVEX);
    nrx_net_free(net);
    d.weakly_convex = 1;
    CHECK(nrx_net_load_checkpoint(c, &d, &net) == NRX_OK);
    against(net, 0.5702348157933449, -0.29289564368813004, 0.34481900717257835, 0.02559810477583478);
    CHECK(nrx_net_certify(net, 6, 7, &r) == NRX_OK && r.convexity == NRX_WEAKLY_CONVEX && r.rho >= 0.5);
    nrx_net_free(net);
    nrx_net_checkpoint_free(c);
    CHECK(nrx_net_checkpoint_read(sample_icnn_legacy, sizeof sample_icnn_legacy, NULL, &c) == NRX_OK);
    CHECK(nrx_net_checkpoint_find(c, "state_dict.icnn.wz.weight") != NULL);
    CHECK(nrx_net_load_checkpoint(c, NULL, &net) == NRX_OK);
    against(net, 8.010993270778231, -0.21437308346629924, 0.5024726841003179, 0.15689969586935598);
    nrx_net_free(net);
    nrx_net_checkpoint_free(c);
    CHECK(nrx_net_checkpoint_read(sample_views_zip, sizeof sample_views_zip, NULL, &c) == NRX_OK); /* views, dtypes */
    w = nrx_net_checkpoint_find(c, "t");
    CHECK(w && w->ndim == 2 && w->shape[0] == 3 && w->shape[1] == 4);
    if (w) for (i = 0; i < 3; i++) for (j = 0; j < 4; j++) CHECK(w->data[i * 4 + j] == formula(j * 6 + i + 1, 9));
    w = nrx_net_checkpoint_find(c, "half");
    if (w) for (i = 0; i < 5; i++) CHECK(w->data[i] == formula(i, 1));
    w = nrx_net_checkpoint_find(c, "bf");
    if (w) for (i = 0; i < 3; i++) CHECK(w->data[i] == formula(i, 3));
    w = nrx_net_checkpoint_find(c, "int");
    CHECK(w && w->count == 5 && w->data[0] == -2 && w->data[4] == 2);
    CHECK(nrx_net_checkpoint_find(c, "p") != NULL);
    nrx_net_checkpoint_free(c);
}

/* Replaces the first occurrence of `from` in a copy of a file; sizes equal. */
static unsigned char *patched(const unsigned char *bytes, size_t n, const char *from, const char *to)
{
    unsigned char *p = (unsigned char *)malloc(n);
    size_t i, m = strlen(from);
    memcpy(p, bytes, n);
    for (i = 0; i + m <= n; i++) if (memcmp(p + i, from, m) == 0) { memcpy(p + i, to, m); break; }
    CHECK(i + m <= n);
    return p;
}

/* A local critic under the names of the published files: seven convolutions of a sequence, no graph in the metadata. */
static void critic_file(void)
{
    static const size_t widths[8] = {1, 2, 3, 2, 2, 2, 2, 1};
    nrx_net *net = NULL, *back = NULL;
    nrx_net_desc nd = NRX_ZERO;
    nrx_net_conv_desc d = NRX_ZERO;
    nrx_net_checkpoint *c = NULL;
    nrx_param list[14];
    unsigned char *bytes, *p;
    size_t size, k, i;
    int z = 0;
    CHECK(nrx_net_create(&nd, &net) == NRX_OK);
    for (k = 0; k < 7; k++) {
        char name[40];
        sprintf(name, "regularizer.cnn.convnet.%d", (int)(2 * k));
        d.name = name; d.channels = widths[k + 1];
        z = nrx_net_conv2d(net, z, &d);
    }
    CHECK(nrx_net_params(net, list, 14) == 14);
    for (k = 0; k < 14; k++) for (i = 0; i < list[k].rows * list[k].cols; i++)
        ((float *)list[k].value)[i] = ((float)((i * 7 + k * 3) % 16) - 7.5f) / 5;
    CHECK(nrx_net_save_bytes(net, NULL, 0, &bytes, &size) == NRX_OK);
    p = patched(bytes, size, "nrx_graph", "no_graph_");
    CHECK(nrx_net_checkpoint_read(p, size, NULL, &c) == NRX_OK && nrx_net_load_checkpoint(c, NULL, &back) == NRX_OK);
    if (back) against(back, 1.2032282654923934, 0.06621294435247475, -0.21763224098536235, 0.05193765175089502);
    nrx_net_checkpoint_free(c);
    nrx_net_free(back);
    free(p);
    nrx_net_free_bytes(net, bytes);
    nrx_net_free(net);
}

/* A safetensors file written here: tensors `name[d,d,d,d]` filled by a formula; skip >= 0 leaves that one out. Free the bytes. */
typedef struct { char name[48]; int ndim; size_t shape[4]; } entry;
static unsigned char *tensors_file(const entry *e, int count, int skip, size_t *size)
{
    char *header = (char *)malloc((size_t)count * 160 + 16);
    unsigned char *bytes;
    size_t total = 0, n = 0, i, h, room;
    int k, d;
    n += (size_t)sprintf(header, "{");
    for (k = 0; k < count; k++) {
        size_t numbers = 1;
        if (k == skip) continue;
        n += (size_t)sprintf(header + n, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[", n > 1 ? "," : "", e[k].name);
        for (d = 0; d < e[k].ndim; d++) {
            numbers *= e[k].shape[d];
            n += (size_t)sprintf(header + n, "%s%d", d ? "," : "", (int)e[k].shape[d]);
        }
        n += (size_t)sprintf(header + n, "],\"data_offsets\":[%d,%d]}", (int)total, (int)(total + 4 * numbers));
        total += 4 * numbers;
    }
    n += (size_t)sprintf(header + n, "}");
    room = (n + 7) / 8 * 8;
    bytes = (unsigned char *)calloc(8 + room + total, 1);
    memset(bytes + 8, ' ', room);
    memcpy(bytes + 8, header, n);
    for (h = 0; h < 8; h++) bytes[h] = (unsigned char)(room >> 8 * h & 255);
    for (k = 0, n = 8 + room; k < count; k++) {
        size_t numbers = 1;
        if (k == skip) continue;
        for (d = 0; d < e[k].ndim; d++) numbers *= e[k].shape[d];
        for (i = 0; i < numbers; i++, n += 4) {
            float v = formula(i, (size_t)k);
            uint32_t u;
            memcpy(&u, &v, 4);
            for (h = 0; h < 4; h++) bytes[n + h] = (unsigned char)(u >> 8 * h & 255);
        }
    }
    *size = n;
    free(header);
    return bytes;
}

static entry *tensor(entry *to, const char *name, size_t a, size_t b, size_t h, size_t w)
{
    strcpy(to->name, name);
    to->ndim = b ? 4 : 1;
    to->shape[0] = a; to->shape[1] = b; to->shape[2] = h; to->shape[3] = w;
    return to + 1;
}

static int tdv_list(entry *e)
{
    entry *to = tensor(e, "K1.weight", 2, 1, 3, 3);
    char name[48];
    int b, s, m, i;
    for (b = 0; b < 2; b++) {
        for (s = 0; s < 3; s++)
            for (m = 0; m < (s < 2 ? 2 : 1); m++)
                for (i = 1; i <= 2; i++) { sprintf(name, "mb.%d.mb.%d.%d.conv%d.weight", b, s, m, i); to = tensor(to, name, 2, 2, 3, 3); }
        for (s = 0; s < 2; s++)
            for (m = 0; m < 2; m++) {
                sprintf(name, "mb.%d.conv_%s.%d.weight", b, m ? "up" : "down", s); to = tensor(to, name, 2, 2, 3, 3);
                sprintf(name, "mb.%d.conv_%s.%d.blur", b, m ? "up" : "down", s); to = tensor(to, name, 1, 1, 5, 5);
            }
    }
    return (int)(tensor(to, "KN.weight", 1, 2, 1, 1) - e);
}

static int nett_list(entry *e)
{
    entry *to = e;
    char name[48];
    int k, half;
    for (k = 1; k <= 2; k++)
        for (half = 0; half <= 2; half += 2) {
            sprintf(name, "b%d.%d.weight", k, half); to = tensor(to, name, 3, k == 1 && half == 0 ? 1 : 3, 3, 3);
            sprintf(name, "b%d.%d.bias", k, half); to = tensor(to, name, 3, 0, 0, 0);
        }
    to = tensor(to, "final.weight", 1, 3, 1, 1);
    return (int)(tensor(to, "final.bias", 1, 0, 0, 0) - e);
}

/* Total deep variation and NETT under the names of the published files against PyTorch; any one key missing is refused by its name. */
static void study_files(const entry *e, int count, const double expected[5])
{
    static const size_t at[4] = {0, 10, 41, 95};
    nrx_env env = quiet();
    nrx_net_load_desc d = NRX_ZERO;
    nrx_net_checkpoint *c = NULL;
    nrx_net *net = NULL;
    nrx_functional f;
    float x[96], g[96];
    double v;
    size_t size, i;
    int skip;
    unsigned char *bytes;
    d.env = env;
    for (skip = -1; skip < count; skip++) {
        bytes = tensors_file(e, count, skip, &size);
        CHECK(nrx_net_checkpoint_read(bytes, size, &env, &c) == NRX_OK);
        free(bytes);
        if (skip >= 0) {
            nrx_status s = nrx_net_load_checkpoint(c, &d, &net);
            if (strcmp(e[skip].name, "K1.weight") == 0 || strcmp(e[skip].name, "b1.0.weight") == 0) CHECK(s == NRX_E_UNSUPPORTED);
            else CHECK(s == NRX_E_FORMAT && strstr(lines.last, e[skip].name));
            nrx_net_checkpoint_free(c);
            continue;
        }
        CHECK(nrx_net_load_checkpoint(c, &d, &net) == NRX_OK);
        nrx_net_checkpoint_free(c);
        for (i = 0; i < 96; i++) x[i] = (float)(i * 5 % 9) / 9.0f;
        CHECK(nrx_net_functional(net, 8, 12, NULL, &f) == NRX_OK && f.eval(f.user, x, &v, g) == NRX_OK);
        CHECK_REL(v, expected[0], 3e-6);
        for (i = 0; i < 4; i++) CHECK_NEAR(g[at[i]], expected[1 + i], 3e-6 * fabs(expected[1 + i]) + 1e-6 * fabs(expected[0]));
        nrx_net_functional_free(&f);
        nrx_net_free(net);
    }
}

/* Folding batch norms changes nothing but the number of layers that have statistics. */
static void folding(void)
{
    nrx_net_cnn_desc d = NRX_ZERO;
    nrx_net_plan_desc pd = NRX_ZERO;
    nrx_net_plan *p;
    nrx_net *net;
    float x[63], before[63], after[63];
    size_t i;
    d.channels = 4; d.layers = 5; d.norm = 2;
    CHECK(nrx_net_dncnn(&d, &net) == NRX_OK);
    for (i = 0; i < nrx_net_param_count(net); i++) nrx_net_weights(net)[i] = 0.1f + 0.05f * (float)(i * 5 % 13); /* statistics too */
    for (i = 0; i < 63; i++) x[i] = (float)(i * 5 % 9) / 9.0f;
    pd.height = 7; pd.width = 9;
    CHECK(nrx_net_plan_create(net, &pd, &p) == NRX_OK && nrx_net_forward(p, x, before) == NRX_OK);
    nrx_net_plan_free(p);
    CHECK(nrx_net_fold(net) == 3 && nrx_net_fold(net) == 0);
    CHECK(nrx_net_plan_create(net, &pd, &p) == NRX_OK && nrx_net_forward(p, x, after) == NRX_OK);
    for (i = 0; i < 63; i++) CHECK_NEAR(after[i], before[i], 2e-5 * fabs((double)before[i]) + 1e-6);
    nrx_net_plan_free(p);
    nrx_net_free(net);
}

static void refusals(void)
{
    nrx_env env = quiet();
    nrx_net_checkpoint *c = NULL;
    nrx_net_load_desc d = NRX_ZERO;
    nrx_net *net = NULL, *back = NULL;
    nrx_net_icnn_desc id = NRX_ZERO;
    unsigned char *p, *bytes;
    size_t size, at;
    d.env = env;
    /* a constructor that is not on the list; nothing happens but a line that names it */
    p = patched(sample_icnn_legacy, sizeof sample_icnn_legacy, "OrderedDict", "UserDict\nAB");
    CHECK(nrx_net_checkpoint_read(p, sizeof sample_icnn_legacy, &env, &c) == NRX_E_UNSUPPORTED && strstr(lines.last, "collections.UserDict"));
    free(p);
    p = patched(sample_crr_zip, sizeof sample_crr_zip, "_rebuild_tensor_v2", "_rebuild_tensor_v3"); /* CRC catches it */
    CHECK(nrx_net_checkpoint_read(p, sizeof sample_crr_zip, &env, &c) == NRX_E_FORMAT);
    free(p);
    CHECK(nrx_net_checkpoint_read(sample_crr_zip, sizeof sample_crr_zip / 2, &env, &c) == NRX_E_FORMAT);
    CHECK(nrx_net_checkpoint_read("nonsense, really", 16, &env, &c) == NRX_E_FORMAT);
    /* missing key, wrong shape, NaN: through safetensors of our own */
    id.layers = 2; id.channels = 2; id.kernel = 3; id.env = env; id.quadratic = 0.5;
    CHECK(nrx_net_icnn(&id, &net) == NRX_OK);
    nrx_net_set_scaling(net, 2.0, 0.25);
    CHECK(nrx_net_save_bytes(net, NULL, 0, &bytes, &size) == NRX_OK);
    CHECK(nrx_net_checkpoint_read(bytes, size, &env, &c) == NRX_OK && nrx_net_load_checkpoint(c, &d, &back) == NRX_OK);
    {
        double w, s;
        nrx_net_scaling(back, &w, &s);
        CHECK(w == 2.0 && s == 0.25);
        CHECK(nrx_net_param_count(net) == nrx_net_param_count(back)
              && memcmp(nrx_net_weights(net), nrx_net_weights(back), nrx_net_param_count(net) * sizeof(float)) == 0);
    }
    nrx_net_checkpoint_free(c);
    nrx_net_free(back);
    p = patched(bytes, size, "wz1.weight\":", "wz9.weight\":");
    CHECK(nrx_net_checkpoint_read(p, size, &env, &c) == NRX_OK && nrx_net_load_checkpoint(c, &d, &back) == NRX_E_FORMAT && strstr(lines.last, "'wz1.weight'"));
    nrx_net_checkpoint_free(c);
    free(p);
    p = patched(bytes, size, "[2,2,3,3]", "[2,2,9,1]");
    CHECK(nrx_net_checkpoint_read(p, size, &env, &c) == NRX_OK && nrx_net_load_checkpoint(c, &d, &back) == NRX_E_SHAPE && strstr(lines.last, "'wz1.weight'"));
    nrx_net_checkpoint_free(c);
    free(p);
    p = patched(bytes, size, "[2,2,3,3]", "[2,2,3,4]");
    CHECK(nrx_net_checkpoint_read(p, size, &env, &c) == NRX_E_FORMAT && strstr(lines.last, "'wz1.weight'"));
    free(p);
    p = (unsigned char *)malloc(size);
    memcpy(p, bytes, size);
    at = size - 4;
    p[at] = 0; p[at + 1] = 0; p[at + 2] = 0xc0; p[at + 3] = 0x7f; /* NaN in the last weight: the quadratic */
    CHECK(nrx_net_checkpoint_read(p, size, &env, &c) == NRX_OK && nrx_net_load_checkpoint(c, &d, &back) == NRX_E_NUMERIC && strstr(lines.last, "'quadratic.scale'"));
    nrx_net_checkpoint_free(c);
    free(p);
    nrx_net_free_bytes(net, bytes);
    nrx_net_free(net);
}

/* ---- whole networks against PyTorch ---- */

static void weights(nrx_net *net, int smooth)
{
    nrx_param list[40];
    size_t n = nrx_net_params(net, list, 40), k, i;
    for (k = 0; k < n; k++) {
        int pos = strstr(list[k].name, "wz") || strstr(list[k].name, "final"), bias = strstr(list[k].name, "bias") != NULL;
        double scale = bias ? 0.1 : strstr(list[k].name, "wz") ? 0.05 : pos ? 0.1 : smooth && k == 0 ? 0.3 : 0.2;
        for (i = 0; i < list[k].rows * list[k].cols; i++) {
            double v = ((double)((i * 7 + k * 3) % 16) - 7.5) * scale / 8;
            ((float *)list[k].value)[i] = (float)(pos ? fabs(v) : v);
        }
    }
}

static void sums(nrx_net *net, double want, double want_abs)
{
    nrx_param list[40];
    size_t n = nrx_net_params(net, list, 40), k, i;
    double s = 0, a = 0;
    for (k = 0; k < n; k++)
        for (i = 0; i < list[k].rows * list[k].cols; i++) {
            s += (double)((float *)list[k].grad)[i] * cos((double)i);
            a += fabs((double)((float *)list[k].grad)[i]);
        }
    CHECK_NEAR(s, want, 1e-5 * want_abs);
    CHECK_REL(a, want_abs, 1e-5);
}

static void whole(int smooth, const double y[2], const double g[3], const double linear[2], const double penalty[3])
{
    nrx_net_icnn_desc d = NRX_ZERO;
    nrx_net_plan_desc pd = NRX_ZERO;
    nrx_net_plan *p;
    nrx_net *net;
    float x[144], out[2], gx[144];
    double total = 0;
    size_t i, s;
    d.layers = 3; d.channels = 4; d.kernel = 3; d.smooth_channels = smooth ? 3 : 0;
    CHECK((smooth ? nrx_net_iwcnn(&d, &net) : nrx_net_icnn(&d, &net)) == NRX_OK);
    weights(net, smooth);
    pd.n = 2; pd.height = 9; pd.width = 8; pd.mode = NRX_NET_PAIR;
    CHECK(nrx_net_plan_create(net, &pd, &p) == NRX_OK);
    for (i = 0; i < 144; i++) x[i] = (float)(i * 5 % 11) / 11.0f;
    CHECK(nrx_net_forward(p, x, out) == NRX_OK && nrx_net_backward(p, NULL, gx, nrx_net_grad(net)) == NRX_OK);
    CHECK_NEAR(out[0], y[0], 2e-7); CHECK_NEAR(out[1], y[1], 2e-7);
    CHECK_NEAR(gx[0], g[0], 2e-8); CHECK_NEAR(gx[37], g[1], 2e-8); CHECK_NEAR(gx[143], g[2], 2e-8);
    sums(net, linear[0], linear[1]);
    nrx_net_zero_grad(net);
    for (s = 0; s < 2; s++) {
        double norm = 0;
        for (i = 0; i < 72; i++) norm += (double)gx[s * 72 + i] * (double)gx[s * 72 + i];
        norm = sqrt(norm);
        total += (norm - 1) * (norm - 1) / 2;
        for (i = 0; i < 72; i++) gx[s * 72 + i] *= (float)((norm - 1) / norm);
    }
    CHECK_REL(total, penalty[0], 1e-6);
    CHECK(nrx_net_tangent(p, gx, NULL) == NRX_OK && nrx_net_backward_tangent(p, NULL, NULL, NULL, NULL, nrx_net_grad(net)) == NRX_OK);
    sums(net, penalty[1], penalty[2]);
    nrx_net_plan_free(p);
    nrx_net_free(net);
}

static nrx_status read_all(const nrx_env *env)
{
    nrx_net_checkpoint *c;
    nrx_net_load_desc d = NRX_ZERO;
    nrx_net *net;
    nrx_status s = nrx_net_checkpoint_read(sample_crr_zip, sizeof sample_crr_zip, env, &c);
    if (s != NRX_OK) return s;
    d.env = *env;
    s = nrx_net_load_checkpoint(c, &d, &net);
    nrx_net_checkpoint_free(c);
    if (s != NRX_OK) return s;
    nrx_net_free(net);
    s = nrx_net_checkpoint_read(sample_icnn_legacy, sizeof sample_icnn_legacy, env, &c);
    if (s == NRX_OK) nrx_net_checkpoint_free(c);
    return s;
}

int main(void)
{
#if defined(NRX_TEST_ALLOC)
    nrx_env env = NRX_ZERO;
    nrx_test_heap heap;
    NRX_TEST_EACH_ALLOC(env, heap, read_all(&env), (void)0);
#else
    /* printed by tests/ref/nets_torch.py: PyTorch in f64 on the same construction */
    static const double y0[2] = {0.10886525290083325, 0.10702167539005585}, g0[3] = {0.0008978682326123798, 0.00957925589221604, -0.0026488690664483753},
        l0[2] = {-1.269746060537242, 28.934660545206356}, p0[3] = {0.9060216816193281, 0.04215862248225294, 5.327331809283469};
    static const double y1[2] = {0.15780498312132168, 0.15795550156294239}, g1[3] = {-0.00019118637646993046, 0.003963859811093026, -0.0007184160172571759},
        l1[2] = {-0.4168122892741592, 26.33749300487371}, p1[3] = {0.9371844659373005, -0.05359532880784134, 5.594210527637686};
    static const double tdv[5] = {0.14349711049801722, -0.002056667937477656, 0.024144173724989355, 0.025610022436396825, -0.0014223995538590272};
    static const double nett[5] = {1.8039741236236682, 0.0018669221425097362, 0.00497564447586423, -0.00017679165003180695, 0.001307009597798338};
    static entry list[40];
    int count = tdv_list(list);
    pytorch_files();
    critic_file();
    study_files(list, count, tdv);
    count = nett_list(list);
    study_files(list, count, nett);
    folding();
    refusals();
    whole(0, y0, g0, l0, p0);
    whole(1, y1, g1, l1, p1);
#endif
    (void)read_all; (void)critic_file; (void)study_files; (void)tdv_list; (void)nett_list; (void)folding; (void)pytorch_files; (void)refusals; (void)whole;
    return nrx_test_end();
}
