/* SPDX-License-Identifier: MIT-0 OR Unlicense
   run: alloc arch
   .npy and .npz: every element type in either byte order, both orders of axes, hostile headers, archives, failing allocations. */
#include "../nrx_test.h"
#define NRX_TENSOR_IMPLEMENTATION
#include "nrx_tensor.h"
#include "../nrx_test.h"

static unsigned char file[4096];
static nrx_test_log_state seen;
static nrx_env env;

/* A file of the given version: header text, then n bytes of data; returns its size. */
static size_t make(int version, const char *header, const void *data, size_t n)
{
    size_t length = strlen(header), at = version == 1 ? 10 : 12;
    memcpy(file, "\223NUMPY", 6);
    file[6] = (unsigned char)version;
    file[7] = 0;
    file[8] = (unsigned char)(length & 255);
    file[9] = (unsigned char)(length >> 8);
    file[10] = file[11] = 0;
    memcpy(file + at, header, length);
    if (n) memcpy(file + at + length, data, n);
    return at + length + n;
}

static nrx_status decode(size_t n, int dtype, void **data, size_t *shape, int *ndim)
{
    unsigned char *exact = (unsigned char *)malloc(n ? n : 1); /* a read past the end is a read past the block */
    nrx_status status;
    memcpy(exact, file, n);
    seen.last[0] = 0;
    seen.lines = 0;
    status = nrxi_npy_decode(exact, n, dtype, data, shape, ndim, "test.npy", &env);
    free(exact);
    CHECK((status == NRX_OK) == (seen.lines == 0) && seen.lines <= 1);
    CHECK((status == NRX_OK) == (*data != NULL));
    return status;
}

/* One number of type `descr` (without its byte order) given little-endian, expected as f64 and (if integer) i64. */
static void number(const char *type, const unsigned char *little, size_t size, double value)
{
    int order, dtype;
    char header[120];
    for (order = 0; order < 2; order++) {
        unsigned char bytes[8];
        size_t i, n, shape[8];
        void *data;
        int ndim;
        for (i = 0; i < size; i++) bytes[i] = order ? little[size - 1 - i] : little[i];
        sprintf(header, "{'descr': '%c%s', 'fortran_order': False, 'shape': (1,), }\n", order ? '>' : '<', type);
        for (dtype = NRX_F32; dtype <= NRX_I64; dtype++) {
            n = make(1, header, bytes, size);
            if (dtype == NRX_I64 && type[0] == 'f') {
                CHECK(decode(n, dtype, &data, shape, &ndim) == NRX_E_UNSUPPORTED && strstr(seen.last, "integers were asked"));
                continue;
            }
            if (dtype == NRX_I64 && value > 9.2e18) {
                CHECK(decode(n, dtype, &data, shape, &ndim) == NRX_E_RANGE);
                continue;
            }
            CHECK(decode(n, dtype, &data, shape, &ndim) == NRX_OK);
            CHECK(ndim == 1 && shape[0] == 1);
            if (dtype == NRX_F32) {
                float want = (float)value;
                CHECK(value != value ? ((float *)data)[0] != ((float *)data)[0] : ((float *)data)[0] == want);
            } else if (dtype == NRX_F64) CHECK(value != value ? ((double *)data)[0] != ((double *)data)[0] : ((double *)data)[0] == value);
            else CHECK((double)((int64_t *)data)[0] == value);
            nrxi_free(&env, data);
        }
    }
}

static void numbers(void)
{
    const struct { const char *type; unsigned char bytes[8]; size_t size; double value; } list[] = {
        { "b1", { 1 }, 1, 1 }, { "b1", { 0 }, 1, 0 }, { "u1", { 200 }, 1, 200 }, { "i1", { 200 }, 1, -56 }, { "i2", { 0xfe, 0xff }, 2, -2 },
        { "u2", { 0xfe, 0xff }, 2, 65534 }, { "i4", { 0, 0, 0, 0x80 }, 4, -2147483648.0 }, { "u4", { 0xff, 0xff, 0xff, 0xff }, 4, 4294967295.0 },
        { "i8", { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 8, -1 }, { "i8", { 0, 0, 0, 0, 0, 0, 0, 0x80 }, 8, -9223372036854775808.0 },
        { "i8", { 1, 0, 0, 0, 1, 0, 0, 0 }, 8, 4294967297.0 }, { "u8", { 0, 0, 0, 0, 0, 0, 0, 0x80 }, 8, 9223372036854775808.0 },
        { "u8", { 5, 0, 0, 0, 0, 0, 0, 0 }, 8, 5 }, { "f4", { 0, 0, 0xc0, 0x3f }, 4, 1.5 }, { "f4", { 0, 0, 0xc0, 0x7f }, 4, NAN },
        { "f8", { 0, 0, 0, 0, 0, 0, 0x04, 0xc0 }, 8, -2.5 }, { "f8", { 0, 0, 0, 0, 0, 0, 0xf0, 0x7f }, 8, INFINITY },
        { "f2", { 0x00, 0x3c }, 2, 1 }, { "f2", { 0x00, 0xc1 }, 2, -2.5 }, { "f2", { 0x01, 0x00 }, 2, 5.9604644775390625e-8 },
        { "f2", { 0xff, 0x7b }, 2, 65504 }, { "f2", { 0x00, 0xfc }, 2, -INFINITY }, { "f2", { 0x01, 0x7e }, 2, NAN }, { "f2", { 0, 0x80 }, 2, 0 } };
    size_t i;
    for (i = 0; i < sizeof list / sizeof *list; i++) number(list[i].type, list[i].bytes, list[i].size, list[i].value);
}

static void orders(void)
{
    unsigned char bytes[24];
    void *data;
    size_t i, j, k, n, shape[8];
    int ndim;
    for (i = 0; i < 24; i++) bytes[i] = (unsigned char)i;
    n = make(2, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 4), }", bytes, 24);
    CHECK(decode(n, NRX_F32, &data, shape, &ndim) == NRX_OK && ndim == 3 && shape[0] == 2 && shape[1] == 3 && shape[2] == 4);
    for (i = 0; i < 2; i++)
        for (j = 0; j < 3; j++)
            for (k = 0; k < 4; k++) CHECK(((float *)data)[(i * 3 + j) * 4 + k] == (float)(i + 2 * j + 6 * k));
    nrxi_free(&env, data);
    n = make(3, "{'descr': '<c8', 'fortran_order': True, 'shape': (1, 3)}", "\0\0\200\077\0\0\0\100\0\0\100\100\0\0\200\100\0\0\240\100\0\0\300\100", 24);
    CHECK(decode(n, NRX_F64, &data, shape, &ndim) == NRX_OK && ndim == 3 && shape[2] == 2);
    for (i = 0; i < 6; i++) CHECK(((double *)data)[i] == (double)(i + 1));
    nrxi_free(&env, data);
    n = make(1, "{'descr': '>i2', 'fortran_order': False, 'shape': (), }", "\1\2", 2);
    CHECK(decode(n, NRX_I64, &data, shape, &ndim) == NRX_OK && ndim == 0 && ((int64_t *)data)[0] == 258);
    nrxi_free(&env, data);
    n = make(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 0, 5), }", NULL, 0);
    CHECK(decode(n, NRX_F64, &data, shape, &ndim) == NRX_OK && ndim == 3 && shape[1] == 0);
    nrxi_free(&env, data);
}

static void hostile(void)
{
    static const struct { const char *header; int status; const char *text; } list[] = {
        { "", NRX_E_FORMAT, "expected '{', found \"\"" },
        { "{'descr': '<f4', 'fortran_order': False}", NRX_E_FORMAT, "no key 'shape'" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}", NRX_E_FORMAT, "found \"'more': 1}\"" },
        { "{'descr': '<f4', 'descr': '<f4', 'shape': (1,)}", NRX_E_FORMAT, "each key once" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", NRX_E_FORMAT, "found \"-1,), }\"" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1.5,), }", NRX_E_FORMAT, "a comma in the shape" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (3), }", NRX_E_FORMAT, "comma" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': [3, 4], }", NRX_E_FORMAT, "a shape such as (3, 4)" },
        { "{'descr': '<f4', 'fortran_order': 1, 'shape': (3,), }", NRX_E_FORMAT, "True or False, found \"1" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999999,), }", NRX_E_RANGE, "fits this machine" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2147483647, 2147483647, 2147483647, 2147483647), }", NRX_E_RANGE, "overflows" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 2147483647, 2147483647, 2147483647, 2147483647), }", NRX_E_RANGE, "overflows" },
        { "{'descr': '<f8', 'fortran_order': False, 'shape': (2305843009213693952,), }", NRX_E_RANGE, "" }, /* 2^64 bytes */
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", NRX_E_UNSUPPORTED, "at most 8 dimensions" },
        { "{'descr': '<c8', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1), }", NRX_E_UNSUPPORTED, "complex with 8 dimensions" },
        { "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", NRX_E_UNSUPPORTED, "found \"'|O'," },
        { "{'descr': '<f16', 'fortran_order': False, 'shape': (1,), }", NRX_E_UNSUPPORTED, "found \"'<f16'," },
        { "{'descr': '<U8', 'fortran_order': False, 'shape': (1,), }", NRX_E_UNSUPPORTED, "'<U8'" },
        { "{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,), }", NRX_E_UNSUPPORTED, "a simple dtype" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (100,), }", NRX_E_FORMAT, "truncated: shape needs 400 bytes of data, file has 8" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } x", NRX_E_FORMAT, "the end of the header, found \"x\"" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)", NRX_E_FORMAT, "',' or '}'" },
        { "{'de\\x73cr': '<f4', 'fortran_order': False, 'shape': (1,), }", NRX_E_FORMAT, "a key" },
        { "{'descr: <f4, fortran_order: False, shape: (1,)", NRX_E_FORMAT, "a key" },
        { "{'descr': '\001\377f4', 'fortran_order': False, 'shape': (1,), }", NRX_E_UNSUPPORTED, "found \"'..f4'," } };
    void *data;
    size_t i, n, shape[8];
    int ndim;
    for (i = 0; i < sizeof list / sizeof *list; i++) {
        nrx_status status;
        n = make(1, list[i].header, "\0\0\0\0\0\0\0\0", 8);
        status = decode(n, NRX_F32, &data, shape, &ndim);
        if ((int)status != list[i].status || !strstr(seen.last, list[i].text)) printf("%s\n  gave %d %s\n", list[i].header, (int)status, seen.last);
        CHECK((int)status == list[i].status && strstr(seen.last, list[i].text));
    }
    n = make(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "\0\0\0\0\0\0\0\0", 8);
    CHECK(decode(n, NRX_F32, &data, shape, &ndim) == NRX_OK);
    nrxi_free(&env, data);
    for (i = 0; i < n; i++) CHECK(decode(i, NRX_F32, &data, shape, &ndim) == NRX_E_FORMAT); /* every prefix */
    CHECK(decode(n, 7, &data, shape, &ndim) == NRX_E_ARG && strstr(seen.last, "dtype 7"));
    file[6] = 4;
    CHECK(decode(n, NRX_F32, &data, shape, &ndim) == NRX_E_UNSUPPORTED && strstr(seen.last, "version 4.0"));
    file[6] = 2;
    file[8] = file[9] = file[10] = file[11] = 0xff;
    CHECK(decode(n, NRX_F32, &data, shape, &ndim) == NRX_E_FORMAT && strstr(seen.last, "header of 4294967295 bytes"));
    file[0] = 'N';
    CHECK(decode(n, NRX_F32, &data, shape, &ndim) == NRX_E_FORMAT && strstr(seen.last, "not a .npy file"));
}

static void round_trip(void)
{
    static const float f[6] = { 1, -2, 3.5f, 0, 1e30f, -1e-30f };
    static const double d[4] = { 1, 2, 3, 4 };
    static const int64_t q[2] = { -5, (int64_t)1 << 60 };
    static const size_t sf[2] = { 2, 3 }, sd[3] = { 1, 2, 2 }, sq[1] = { 2 }, none[2] = { 0, 4 };
    nrx_npz_item items[4];
    unsigned char *copy;
    void *bytes, *data;
    size_t n, i, k, shape[8];
    int ndim;
    CHECK(nrx_npy_encode(NRX_F32, f, sf, 2, &bytes, &n) == NRX_OK && n % 64 == 24);
    CHECK(memcmp((char *)bytes + 10, nrxi_big_endian() ? "{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3), }" : "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 59) == 0);
    CHECK(nrx_npy_decode(bytes, n, NRX_F32, &data, shape, &ndim) == NRX_OK && ndim == 2 && shape[0] == 2 && shape[1] == 3);
    CHECK(data && memcmp(data, f, sizeof f) == 0);
    nrx_npy_free(data);
    nrx_npy_free(bytes);
    items[0].name = "image"; items[0].dtype = NRX_F32; items[0].data = f; items[0].shape = sf; items[0].ndim = 2;
    items[1].name = "d"; items[1].dtype = NRX_F64; items[1].data = d; items[1].shape = sd; items[1].ndim = 3;
    items[2].name = "q"; items[2].dtype = NRX_I64; items[2].data = q; items[2].shape = sq; items[2].ndim = 1;
    items[3].name = "empty"; items[3].dtype = NRX_F64; items[3].data = d; items[3].shape = none; items[3].ndim = 2;
    CHECK(nrx_npz_encode(items, 4, &bytes, &n) == NRX_OK);
    CHECK(nrx_npz_decode(bytes, n, "q", 0, NRX_I64, &data, shape, &ndim) == NRX_OK && ndim == 1 && memcmp(data, q, sizeof q) == 0);
    nrx_npy_free(data);
    CHECK(nrx_npz_decode(bytes, n, "image.npy", 0, NRX_F32, &data, shape, &ndim) == NRX_OK && memcmp(data, f, sizeof f) == 0);
    nrx_npy_free(data);
    CHECK(nrx_npz_decode(bytes, n, NULL, 1, NRX_F64, &data, shape, &ndim) == NRX_OK && ndim == 3 && memcmp(data, d, sizeof d) == 0);
    nrx_npy_free(data);
    CHECK(nrx_npz_decode(bytes, n, "empty", 0, NRX_F64, &data, shape, &ndim) == NRX_OK && ndim == 2 && shape[0] == 0 && shape[1] == 4);
    nrx_npy_free(data);
    CHECK(nrx_npz_decode(bytes, n, "imag", 0, NRX_F32, &data, shape, &ndim) == NRX_E_ARG && !data);
    CHECK(nrx_npz_decode(bytes, n, NULL, 4, NRX_F32, &data, shape, &ndim) == NRX_E_ARG);
    copy = (unsigned char *)malloc(n);
    for (i = 0; i < n; i++) { /* any single byte changed: found out, or harmless */
        memcpy(copy, bytes, n);
        copy[i] ^= 0x41;
        for (k = 0; k < 4; k++) {
            nrx_status status = nrx_npz_decode(copy, n, NULL, k, NRX_F64, &data, shape, &ndim);
            CHECK((status == NRX_OK) == (data != NULL));
            nrx_npy_free(data);
        }
    }
    for (i = 0; i < n; i++) { /* cut */
        unsigned char *cut = (unsigned char *)malloc(i + 1);
        memcpy(cut, bytes, i);
        CHECK(nrx_npz_decode(cut, i, NULL, 0, NRX_F64, &data, shape, &ndim) == NRX_E_FORMAT);
        free(cut);
    }
    memcpy(copy, bytes, n);
    for (i = 0; i + 4 < n; i++) if (memcmp(copy + i, "PK\001\002", 4) == 0) break;
    copy[i + 10] = 8; /* deflated */
    {
        nrxi_npz_entry e;
        CHECK(nrxi_npz_find(copy, n, 0, NULL, &e, "x.npz", &env) == NRX_E_UNSUPPORTED && strstr(seen.last, "compressed (method 8); write it with numpy.savez"));
        copy[i + 10] = 0;
        nrxi_put_le(copy + i + 20, 0x7ffffff0u, 4); /* both sizes beyond the end, and beyond it by one */
        nrxi_put_le(copy + i + 24, 0x7ffffff0u, 4);
        CHECK(nrxi_npz_find(copy, n, 0, NULL, &e, "x.npz", &env) == NRX_E_FORMAT && strstr(seen.last, "entry 0 is truncated"));
        memcpy(copy, bytes, n);
        nrxi_put_le(copy + i + 42, n - 22, 4);
        CHECK(nrxi_npz_find(copy, n, 0, NULL, &e, "x.npz", &env) == NRX_E_FORMAT && strstr(seen.last, "no local header"));
        memcpy(copy, bytes, n);
        copy[60] ^= 1;
        CHECK(nrxi_npz_find(copy, n, 0, NULL, &e, "x.npz", &env) == NRX_E_FORMAT && strstr(seen.last, "CRC"));
    }
    free(copy);
    nrx_npy_free(bytes);

    CHECK(nrx_npy_save("nrx_test_files.npy", NRX_I64, q, sq, 1) == NRX_OK);
    CHECK(nrx_npy_load("nrx_test_files.npy", NRX_F64, &data, shape, &ndim) == NRX_OK && ((double *)data)[0] == -5);
    nrx_npy_free(data);
    remove("nrx_test_files.npy");
    CHECK(nrx_npz_save("nrx_test_files.npz", items, 2) == NRX_OK);
    CHECK(nrx_npz_load("nrx_test_files.npz", "d", 0, NRX_F64, &data, shape, &ndim) == NRX_OK && memcmp(data, d, sizeof d) == 0);
    nrx_npy_free(data);
    remove("nrx_test_files.npz");
    CHECK(nrx_npy_load("no/such/file.npy", NRX_F64, &data, shape, &ndim) == NRX_E_IO && !data);
    CHECK(nrx_npy_load(".", NRX_F64, &data, shape, &ndim) != NRX_OK && !data); /* a directory */
    CHECK(nrx_npy_save("no/such/file.npy", NRX_F64, d, sd, 3) == NRX_E_IO);
    CHECK(nrx_npy_save("nrx_test_files.npy", 9, d, sd, 3) == NRX_E_ARG);
    CHECK(nrx_npy_save("nrx_test_files.npy", NRX_F64, d, sd, 9) == NRX_E_ARG);
    CHECK(nrx_npy_load(NULL, NRX_F64, &data, shape, &ndim) == NRX_E_ARG && nrx_npy_decode(NULL, 5, NRX_F64, &data, shape, &ndim) == NRX_E_ARG);
    CHECK(nrx_npy_encode(NRX_F32, NULL, sf, 2, &bytes, &n) == NRX_E_ARG);
    items[1].data = NULL;
    CHECK(nrx_npz_encode(items, 2, &bytes, &n) == NRX_E_ARG && !bytes);
}

static void allocations(void)
{
    nrx_test_heap heap;
    nrx_env e;
    static const double d[4] = { 1, 2, 3, 4 };
    static const size_t sd[1] = { 4 };
    unsigned char *bytes = NULL;
    void *data = NULL;
    size_t n, shape[8];
    int ndim;
    memset(&e, 0, sizeof e);
    NRX_TEST_EACH_ALLOC(e, heap, nrxi_npy_encode(NRX_F64, d, sd, 1, &bytes, &n, &e), nrxi_free(&e, bytes));
    CHECK_ALWAYS(nrxi_npy_save("nrx_test_alloc.npy", NRX_F64, d, sd, 1, NULL) == NRX_OK);
    NRX_TEST_EACH_ALLOC(e, heap, nrxi_npy_load("nrx_test_alloc.npy", NRX_F64, &data, shape, &ndim, &e), nrxi_free(&e, data));
    remove("nrx_test_alloc.npy");
}

int main(void)
{
    NRX_TEST_LOG_ENV(env, seen);
#ifndef NRX_TEST_ALLOC
    numbers();
    orders();
    hostile();
    round_trip();
#endif
    allocations();
    return nrx_test_end();
}
