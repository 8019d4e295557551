/* SPDX-License-Identifier: MIT-0 OR Unlicense
   Fuzz target of the .npy and .npz readers: any bytes give a status; what was read can be written and read again. */
#define NRX_TENSOR_IMPLEMENTATION
#include "nrx_tensor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t nrx_fuzz_seed(int i, uint8_t *buf, size_t capacity);

static void again(int dtype, const void *data, const size_t *shape, int ndim)
{
    void *bytes, *back;
    size_t n, shape2[8], count = 1;
    int i, ndim2;
    if (nrx_npy_encode(dtype, data, shape, ndim, &bytes, &n) != NRX_OK) abort();
    if (nrx_npy_decode(bytes, n, dtype, &back, shape2, &ndim2) != NRX_OK || ndim2 != ndim) abort();
    for (i = 0; i < ndim; i++) {
        if (shape[i] != shape2[i]) abort();
        count *= shape[i];
    }
    if (count && memcmp(data, back, count * (dtype == NRX_F32 ? 4 : 8)) != 0) abort();
    nrx_npy_free(bytes);
    nrx_npy_free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void *out;
    size_t shape[8], i;
    int ndim, dtype;
    for (dtype = NRX_F32; dtype <= NRX_I64; dtype++) {
        if (nrx_npy_decode(data, size, dtype, &out, shape, &ndim) == NRX_OK) {
            again(dtype, out, shape, ndim);
            nrx_npy_free(out);
        } else if (out) abort();
        for (i = 0; i < 3; i++)
            if (nrx_npz_decode(data, size, i == 2 ? "b" : NULL, i, dtype, &out, shape, &ndim) == NRX_OK) {
                again(dtype, out, shape, ndim);
                nrx_npy_free(out);
            } else if (out) abort();
    }
    return 0;
}

/* A .npy file of the given header text and 48 bytes of data. */
static size_t file(uint8_t *buf, int version, const char *header)
{
    size_t n = strlen(header), at = version == 1 ? 10 : 12, i;
    memcpy(buf, "\223NUMPY", 6);
    buf[6] = (uint8_t)version;
    buf[7] = 0;
    buf[8] = (uint8_t)n;
    buf[9] = buf[10] = buf[11] = 0;
    memcpy(buf + at, header, n);
    for (i = 0; i < 48; i++) buf[at + n + i] = (uint8_t)(i * 37);
    return at + n + 48;
}

size_t nrx_fuzz_seed(int i, uint8_t *buf, size_t capacity)
{
    static const char *const header[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }\n", "{'descr': '>f8', 'fortran_order': True, 'shape': (2, 3), }     \n",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (48,), }\n", "{'shape': (2, 1, 3), 'fortran_order': True, 'descr': '>c8'}",
        "{\"descr\": \"<i2\", \"fortran_order\": False, \"shape\": (4L, 6L)}", "{'descr': '<f2', 'fortran_order': False, 'shape': ()}",
        "{'descr': '<i8', 'fortran_order': False, 'shape': (0, 7), }", "{'descr': '|b1', 'fortran_order': True, 'shape': (2, 2, 2, 2, 3, 1, 1), }" };
    static const float a[6] = { 1, 2, 3, 4, 5, 6 };
    static const double b[4] = { 1, -2, 1e300, 0 };
    static const size_t sa[2] = { 2, 3 }, sb[1] = { 4 };
    nrx_npz_item items[2];
    void *bytes;
    size_t n = 0;
    (void)capacity;
    if (i < 8) return file(buf, 1 + i % 3, header[i]);
    if (i > 9) return 0;
    items[0].name = "a"; items[0].dtype = NRX_F32; items[0].data = a; items[0].shape = sa; items[0].ndim = 2;
    items[1].name = "b"; items[1].dtype = NRX_F64; items[1].data = b; items[1].shape = sb; items[1].ndim = 1;
    if (nrx_npz_encode(items, (size_t)(i - 7), &bytes, &n) == NRX_OK) memcpy(buf, bytes, n);
    nrx_npy_free(bytes);
    return n;
}
