/* SPDX-License-Identifier: MIT-0 OR Unlicense
   Fuzz target: checkpoints (PyTorch zip and legacy, safetensors with a graph, npz) and the networks built from them. */
#define NRX_MAX_ELEMS ((size_t)1 << 20)
#define NRX_NETS_IMPLEMENTATION
#include "nrx_nets.h"
#include "../nets_samples.h"

size_t nrx_fuzz_seed(int i, uint8_t *buf, size_t capacity);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
