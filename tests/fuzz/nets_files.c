/* SPDX-License-Identifier: MIT-0 OR Unlicense
   Fuzz target: checkpoints (PyTorch zip and legacy, safetensors with a graph, npz) and the networks built from them. */
#define NRX_MAX_ELEMS ((size_t)1 << 20)
#define NRX_NETS_IMPLEMENTATION
#include "nrx_nets.h"
#include "../nets_samples.h"

size_t nrx_fuzz_seed(int i, uint8_t *buf, size_t capacity);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Arrays of the given names and shapes (0 ends a shape), all of the same numbers, as an .npz file. */
static size_t archive(const char *const *name, const size_t (*shape)[4], size_t count, uint8_t *buf)
{
    static float v[80];
    nrx_npz_item item[20];
    unsigned char *bytes;
    size_t i, n = 0;
    for (i = 0; i < 80; i++) v[i] = (float)(i * 7 % 16) / 16 - 0.5f;
    for (i = 0; i < count; i++) {
        item[i].name = name[i]; item[i].dtype = NRX_F32; item[i].data = v; item[i].shape = shape[i];
        item[i].ndim = shape[i][1] ? 4 : 1;
    }
    if (nrxi_npz_encode(item, count, &bytes, &n, NULL) != NRX_OK) return 0;
    memcpy(buf, bytes, n);
    nrxi_free(NULL, bytes);
    return n;
}

static const char *const nett[6] = {"b1.0.weight", "b1.0.bias", "b1.2.weight", "b1.2.bias", "final.weight", "final.bias"};
static const size_t nett_shape[6][4] = {{2, 1, 3, 3}, {2, 0, 0, 0}, {2, 2, 3, 3}, {2, 0, 0, 0}, {1, 2, 1, 1}, {1, 0, 0, 0}};
static const char *const tdv[12] = {"K1.weight", "mb.0.mb.0.0.conv1.weight", "mb.0.mb.0.0.conv2.weight", "mb.0.mb.0.1.conv1.weight",
    "mb.0.mb.0.1.conv2.weight", "mb.0.mb.1.0.conv1.weight", "mb.0.mb.1.0.conv2.weight", "mb.0.conv_down.0.weight", "mb.0.conv_down.0.blur",
    "mb.0.conv_up.0.weight", "mb.0.conv_up.0.blur", "KN.weight"};
static const size_t tdv_shape[12][4] = {{2, 1, 3, 3}, {2, 2, 3, 3}, {2, 2, 3, 3}, {2, 2, 3, 3}, {2, 2, 3, 3}, {2, 2, 3, 3}, {2, 2, 3, 3},
    {2, 2, 3, 3}, {1, 1, 5, 5}, {2, 2, 3, 3}, {1, 1, 5, 5}, {1, 2, 1, 1}};

size_t nrx_fuzz_seed(int i, uint8_t *buf, size_t capacity)
{
    size_t n = 0;
    (void)capacity;
    switch (i) {
    case 0: memcpy(buf, sample_crr_zip, n = sizeof sample_crr_zip); break;
    case 1: memcpy(buf, sample_icnn_legacy, n = sizeof sample_icnn_legacy); break;
    case 2: memcpy(buf, sample_views_zip, n = sizeof sample_views_zip); break;
    case 3: case 4: {
        nrx_net *net = NULL;
        unsigned char *bytes = NULL;
        nrx_net_icnn_desc d = NRX_ZERO;
        nrx_net_cnn_desc c = NRX_ZERO;
        d.layers = 2; d.channels = 2; d.kernel = 3; d.quadratic = 1;
        c.channels = 2; c.scales = 2; c.norm = 1;
        if ((i == 3 ? nrx_net_icnn(&d, &net) : nrx_net_unet(&c, &net)) == NRX_OK && nrx_net_save_bytes(net, NULL, 0, &bytes, &n) == NRX_OK) memcpy(buf, bytes, n);
        nrx_net_free_bytes(net, bytes);
        nrx_net_free(net);
        break;
    }
    case 5: {
        static const float v[6] = {1, 2, 3, 4, 5, 6};
        static const size_t shape[2] = {2, 3};
        nrx_npz_item item;
        unsigned char *bytes;
        item.name = "w"; item.dtype = NRX_F32; item.data = v; item.shape = shape; item.ndim = 2;
        if (nrxi_npz_encode(&item, 1, &bytes, &n, NULL) == NRX_OK) { memcpy(buf, bytes, n); nrxi_free(NULL, bytes); }
        break;
    }
    case 6: n = archive(nett, nett_shape, 6, buf); break;
    case 7: n = archive(tdv, tdv_shape, 12, buf); break;
    default: break;
    }
    return n;
}

static uint8_t copy[1 << 16];

/* Writes right checksums into a damaged zip archive, so that the readers behind them are reached too. */
static void repair(uint8_t *b, size_t n)
{
    size_t at, local, skip, size;
    for (at = 0; at + 46 <= n; at++) {
        if (memcmp(b + at, "PK\001\002", 4) != 0) continue;
        local = (size_t)nrxi_get_le(b + at + 42, 4);
        size = (size_t)nrxi_get_le(b + at + 24, 4);
        if (local > n || n - local < 30) continue;
        skip = 30 + (size_t)nrxi_get_le(b + local + 26, 2) + (size_t)nrxi_get_le(b + local + 28, 2);
        if (skip > n - local || size > n - local - skip) continue;
        (void)nrxi_put_le(b + at + 16, nrxi_crc32(0, b + local + skip, size), 4);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nrx_net_checkpoint *c;
    nrx_net *net;
    nrx_net_plan_desc d = NRX_ZERO;
    if (size > sizeof copy) return 0;
    memcpy(copy, data, size);
    if (size > 4 && data[0] == 'P') repair(copy, size);
    if (nrx_net_checkpoint_read(copy, size, NULL, &c) != NRX_OK) return 0;
    if (nrx_net_load_checkpoint(c, NULL, &net) == NRX_OK) {
        d.height = 8; d.width = 8; d.mode = NRX_NET_PAIR;
        (void)nrx_net_plan_size(net, &d);
        nrx_net_free(net);
    }
    nrx_net_checkpoint_free(c);
    return 0;
}
