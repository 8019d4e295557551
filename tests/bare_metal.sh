#!/bin/sh
# SPDX-License-Identifier: MIT-0 OR Unlicense
# Inference of a learned regularizer without an operating system: examples/nets_bare_metal.c for a Cortex-M7, its size printed; then, where
# qemu-arm is installed, for a bare Cortex-A9 and run there: what it prints must be what this machine prints. Exit 77 without the compiler.
#
#   tests/bare_metal.sh [CC]
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
command -v arm-none-eabi-gcc > /dev/null 2>&1 || { echo "arm-none-eabi-gcc is not installed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
source=$root/examples/nets_bare_metal.c
common="-O2 -Wall -Wextra -Werror -ffunction-sections -fdata-sections -Wl,--gc-sections"
m7="-mcpu=cortex-m7 -mthumb -mfpu=fpv5-sp-d16 -mfloat-abi=hard"
arm-none-eabi-gcc $common $m7 --specs=nosys.specs "$source" -o m7.elf -lm 2> warnings || { cat warnings; exit 1; }
set -- "${1:-cc}" $(arm-none-eabi-size m7.elf | tail -n 1)
echo "Cortex-M7: $2 bytes of code and constants, $3 of data, $4 of zeroed memory (the pool and three images)"
[ "$2" -lt 262144 ] || { echo "more than 256 kB of code"; exit 1; }
command -v qemu-arm > /dev/null 2>&1 || { echo "qemu-arm is not installed: not run"; exit 0; }
arm-none-eabi-gcc $common -DSEMIHOSTING -mcpu=cortex-a9 -mfpu=vfpv3 -mfloat-abi=hard --specs=rdimon.specs "$source" -o a9.elf -lm 2> warnings || { cat warnings; exit 1; }
$1 -O1 -w "$source" -o host -lm
./host | sed 's/;.*bytes of memory//' > host.out
qemu-arm -cpu cortex-a9 a9.elf | sed 's/;.*bytes of memory//' > arm.out # the pool differs: pointers are shorter
cat arm.out
cmp host.out arm.out
