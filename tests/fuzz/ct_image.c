/* Any bytes as an image file (npy, TIFF, MetaImage, PGM): a status, never a crash.
   SPDX-License-Identifier: MIT-0 OR Unlicense */
#define NRX_CT_IMPLEMENTATION
#include "nrx_ct.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void *pixels;
    size_t shape[3];
    double spacing[3], sum = 0;
    if (size < 1 << 20 && nrx_ct_image_decode(data, size, NRX_F32, &pixels, shape, spacing, NULL) == NRX_OK) {
        size_t i, n = shape[0] * shape[1] * shape[2];
        for (i = 0; i < n; i++) sum += ((const float *)pixels)[i] > 0;
        nrx_ct_free(pixels, NULL);
    }
    return sum < 0;
}

static size_t put(uint8_t *buf, size_t at, uint32_t v, int bytes)
{
    for (; bytes > 0; bytes--, v >>= 8) buf[at++] = (uint8_t)(v & 255u);
    return at;
}

/* A PGM, a MetaImage, and a TIFF of two pages whose pixels share one strip. */
size_t nrx_fuzz_seed(int i, uint8_t *buf, size_t capacity);
size_t nrx_fuzz_seed(int i, uint8_t *buf, size_t capacity)
{
    static const char pgm[] = "P5\n# comment\n4 3\n255\nabcdefghijkl", meta[] = "ObjectType = Image\nNDims = 3\nDimSize = 2 2 2\nElementSpacing = 1 2 3\n"
        "ElementType = MET_SHORT\nElementByteOrderMSB = False\nElementDataFile = LOCAL\nabcdefghijklmnop";
    static const uint32_t tags[9][3] = {{256, 3, 4}, {257, 3, 3}, {258, 3, 32}, {259, 3, 1}, {273, 4, 8}, {277, 3, 1}, {278, 3, 3}, {279, 4, 48}, {339, 3, 3}};
    size_t at, page, k;
    if (capacity < 1024) return 0;
    if (i == 0) { memcpy(buf, pgm, sizeof pgm - 1); return sizeof pgm - 1; }
    if (i == 1) { memcpy(buf, meta, sizeof meta - 1); return sizeof meta - 1; }
    if (i > 2) return 0;
    memcpy(buf, "II*\0", 4);
    put(buf, 4, 56, 4);
    for (at = 8; at < 56; at++) buf[at] = (uint8_t)at;
    for (page = 0; page < 2; page++) {
        at = put(buf, at, 9, 2);
        for (k = 0; k < 9; k++) {
            at = put(buf, at, tags[k][0], 2);
            at = put(buf, at, tags[k][1], 2);
            at = put(buf, at, 1, 4);
            at = put(buf, at, tags[k][2], 4);
        }
        at = put(buf, at, page ? 0 : (uint32_t)at + 4, 4);
    }
    return at;
}
