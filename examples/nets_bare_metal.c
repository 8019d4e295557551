/* nets_bare_metal.c - a learned regularizer on a machine without files, streams or an operating system: the weights are a C array, the
   memory is one static pool. The same file runs on a desk computer.
   SPDX-License-Identifier: MIT-0 OR Unlicense

   cc -O2 examples/nets_bare_metal.c -o nets_bare_metal -lm && ./nets_bare_metal
   Cortex-M7:  arm-none-eabi-gcc -O2 -mcpu=cortex-m7 -mthumb -mfpu=fpv5-sp-d16 -mfloat-abi=hard -ffunction-sections -fdata-sections
               -Wl,--gc-sections --specs=nosys.specs examples/nets_bare_metal.c -lm      (tests/bare_metal.sh prints the size) */
#include <stddef.h>

/* The pool: what is freed last is given back, the rest stays; nothing here is freed before the end. */
static union { double align; unsigned char bytes[128 * 1024]; } pool;
static size_t pool_used;

static void *pool_take(size_t size)
{
    size_t at = (pool_used + 15) / 16 * 16;
    if (size > sizeof pool.bytes - at) return NULL;
    pool_used = at + size;
    return pool.bytes + at;
}

#define NRX_NO_STDIO
#define NRX_MALLOC(size) pool_take(size)
#define NRX_REALLOC(p, size) ((void)(p), pool_take(size)) /* never asked for here */
#define NRX_FREE(p) ((void)(p))
#define NRX_STATIC
#define NRX_NETS_IMPLEMENTATION
#include "../nrx_nets.h"
#include "ct_weights_crr.inc"
// expect: R\(image\) = [0-9.]+, \|denoised - clean\| / \|noisy - clean\| = 0\.[0-6]
// expect: convex

enum { SIDE = 32 };
static float image[SIDE * SIDE], noisy[SIDE * SIDE], gradient[SIDE * SIDE];
static nrx_net_report report;
volatile double energy, gain; /* what a debugger would look at */

/* One step of denoising, x - grad R(x), of a disc with noise. */
static int run(void)
{
    nrx_net_checkpoint *c = NULL;
    nrx_net *net = NULL;
    nrx_functional r;
    nrx_rng rng;
    double value = 0, before = 0, after = 0;
    int i;
    nrx_rng_seed(&rng, 1, 0);
    for (i = 0; i < SIDE * SIDE; i++) {
        int dx = i % SIDE - SIDE / 2, dy = i / SIDE - SIDE / 2;
        image[i] = dx * dx + dy * dy < 100 ? 0.8f : 0.2f;
        noisy[i] = image[i] + 0.05f * (float)nrx_rng_normal(&rng);
    }
    if (nrx_net_checkpoint_read(ct_weights_crr, sizeof ct_weights_crr, NULL, &c) != NRX_OK) return 1;
    if (nrx_net_load_checkpoint(c, NULL, &net) != NRX_OK) return 2;
    if (nrx_net_certify(net, SIDE, SIDE, &report) != NRX_OK) return 3;
    if (nrx_net_functional(net, SIDE, SIDE, NULL, &r) != NRX_OK) return 4;
    if (r.eval(r.user, noisy, &value, gradient) != NRX_OK) return 5;
    for (i = 0; i < SIDE * SIDE; i++) {
        double d = (double)noisy[i] - (double)image[i], e = d - (double)gradient[i];
        before += d * d;
        after += e * e;
    }
    energy = value;
    gain = sqrt(after / before);
    nrx_net_functional_free(&r);
    nrx_net_free(net);
    nrx_net_checkpoint_free(c);
    return 0;
}

#if defined(__ARM_ARCH) && !defined(__linux__) && !defined(__APPLE__) && !defined(SEMIHOSTING)
int main(void) { return run(); }
#else
#include <stdio.h>
int main(void)
{
    int failed = run();
    if (failed) { fprintf(stderr, "nets_bare_metal: step %d failed with %lu of %lu bytes used\n", failed, (unsigned long)pool_used, (unsigned long)sizeof pool); return 1; }
    printf("R(image) = %.5f, |denoised - clean| / |noisy - clean| = %.4f; %lu bytes of memory\n%s\n", energy, gain, (unsigned long)pool_used, report.text);
    return 0;
}
#endif
