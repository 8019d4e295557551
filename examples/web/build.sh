#!/bin/sh
# SPDX-License-Identifier: MIT-0 OR Unlicense
# Builds ct_web.js (WebAssembly inside) beside index.html, or into the folder given. Needs emcc.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here}
emcc -O3 -msimd128 -c "$here/ct_web.c" -o "$out/ct_web.o" # optimised here; linked at -O1, which needs no JavaScript packages
emcc -O1 "$out/ct_web.o" -o "$out/ct_web.js" -sSINGLE_FILE=1 -sALLOW_MEMORY_GROWTH=1 -sENVIRONMENT=web -sEXPORTED_RUNTIME_METHODS=ccall
rm "$out/ct_web.o"
[ "$out" = "$here" ] || cp "$here/index.html" "$out/"
