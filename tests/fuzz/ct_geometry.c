/* Any bytes as a scan description: a status, never a crash; what is accepted is a valid geometry.
   SPDX-License-Identifier: MIT-0 OR Unlicense */
#define NRX_CT_IMPLEMENTATION
#include "nrx_ct.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nrx_ct_geometry g;
    if (nrx_ct_geometry_parse((const char *)data, size, &g, NULL) == NRX_OK && nrx_ct_geometry_check(&g) != NRX_OK) return *(volatile int *)0;
    nrx_ct_geometry_free(&g);
    return 0;
}

size_t nrx_fuzz_seed(int i, uint8_t *buf, size_t capacity);
size_t nrx_fuzz_seed(int i, uint8_t *buf, size_t capacity)
{
    static const char *const text[3] = {
        "# a fan\ngeometry = fan_flat\nsource_origin = 410.66\nsource_detector=553.74\ndetector_count = 560\ndetector_pitch = 0.2\n"
        "detector_centre = 279.5\nviews = 12\nangle_step = 0.5\nangle_unit = deg\nimage_size = 25 26\npixel_size = 2.9\n",
        "geometry = cone\nsource_origin=100\nsource_detector = 2e2\ndetector_count = 8\ndetector_rows = 4\ndetector_pitch = 1\ndetector_pitch_v = .5\n"
        "detector_centre_v = 1.5\nviews = 3\nangle_start = -1\nangle_step = 0.1\nimage_size = 5 6 7\npixel_size = 1 1.5 2\nimage_centre = 1 2 3\nkernel = siddon\n",
        "geometry = parallel\r\ndetector_count = 8\r\ndetector_pitch = 1\r\nangles = missing.npy\r\nimage_size = 4 4\r\naxis_shift = 1\r\ndetector_tilt = 0.1\r\n"};
    size_t n;
    if (i > 2) return 0;
    n = strlen(text[i]);
    if (n > capacity) return 0;
    memcpy(buf, text[i], n);
    return n;
}
