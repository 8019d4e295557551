#!/bin/sh
# SPDX-License-Identifier: MIT-0 OR Unlicense
# Prints "name seconds" (best of several) for the benchmark workloads: tests/bench.sh [NAME...] runs those whose name starts so.
# CC and BENCH_FLAGS (default -O2) choose the build; BENCH_FLAGS="-O2 -fopenmp" with OMP_NUM_THREADS=2 measures two threads.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for src in "$root"/tests/bench/*.c; do
    [ -f "$src" ] || continue
    # shellcheck disable=SC2086
    ${CC:-cc} ${BENCH_FLAGS:--O2} -I"$root" -I"$root/tests/bench" "$src" -o "$tmp/bench" -lm
    "$tmp/bench" "$@"
done
