/* driver.c - runs a fuzz target without libFuzzer: ./target [ROUNDS [SEED]]
   SPDX-License-Identifier: MIT-0 OR Unlicense
   A target defines LLVMFuzzerTestOneInput, and nrx_fuzz_seed that gives its corpus. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes valid input number i into buf and gives its size; 0 = there are no more. */
size_t nrx_fuzz_seed(int i, uint8_t *buf, size_t capacity);

enum { CAPACITY = 1 << 16 };
static uint8_t seed_bytes[CAPACITY], buf[CAPACITY];
static uint64_t state;

static uint32_t draw(uint32_t n)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((state * 2685821657736338717u) >> 33) % n;
}

/* One to four changes: a bit, a byte, a run, an interesting number, a cut, a moved piece. */
static size_t mutate(size_t n)
{
    static const uint32_t special[] = {0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000u, 0xffffffffu, 0x40000000u};
    uint32_t changes = 1 + draw(4);
    while (changes-- && n > 0) {
        size_t at = draw((uint32_t)n), len = 1 + draw(8), i;
        uint32_t v = special[draw(11)];
        if (at + len > n) len = n - at;
        switch (draw(7)) {
        case 0: buf[at] ^= (uint8_t)(1u << draw(8)); break;
        case 1: buf[at] = (uint8_t)draw(256); break;
        case 2: for (i = 0; i < len; i++) buf[at + i] = (uint8_t)(v >> 8 * (i & 3)); break;
        case 3: n = at; break;
        case 4: memmove(buf + at, buf + draw((uint32_t)(n - len + 1)), len); break;
        case 5: buf[at] = (uint8_t)('0' + draw(10)); break;
        default:
            if (n + len <= CAPACITY) { memmove(buf + at + len, buf + at, n - at); n += len; }
            break;
        }
    }
    return n;
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 4000, r;
    int seeds = 0, i;
    state = argc > 2 ? (uint64_t)atoll(argv[2]) * 2654435769u + 1 : 88172645463325252u;
    while (nrx_fuzz_seed(seeds, buf, CAPACITY) > 0) seeds++;
    if (seeds == 0) { puts("the target has no seed"); return 1; }
    for (i = 0; i < seeds; i++) { /* every prefix of every seed, then mutations */
        size_t n = nrx_fuzz_seed(i, seed_bytes, CAPACITY), k, step = n / 500 + 1;
        for (k = 0; k <= n; k += step) LLVMFuzzerTestOneInput(seed_bytes, k);
    }
    for (r = 0; r < rounds; r++) {
        size_t n = nrx_fuzz_seed((int)draw((uint32_t)seeds), buf, CAPACITY);
        uint8_t *exact;
        n = mutate(n);
        exact = (uint8_t *)malloc(n ? n : 1); /* so that a read past the end is seen */
        if (!exact) return 1;
        memcpy(exact, buf, n);
        LLVMFuzzerTestOneInput(exact, n);
        free(exact);
    }
    printf("%ld inputs from %d seeds\n", rounds, seeds);
    return 0;
}
