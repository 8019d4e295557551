#!/bin/sh
# SPDX-License-Identifier: MIT-0 OR Unlicense
# The main job met by a new user's mistakes: each gives exactly one line on stderr that says what was wrong, and a non-zero exit.
#
#   tests/examples_errors.sh [CC]     builds examples/ct_learned.c (half a minute), runs in a folder of its own
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
program=${CT_LEARNED:-} # an executable made before, to save the build
if [ -z "$program" ]; then
    ${1:-cc} -O1 -w "$root/examples/ct_learned.c" -o ct_learned -lm
    program=./ct_learned
fi
failed=0

# refused EXIT TEXT ARGUMENTS...: exit code EXIT, one line on stderr, and TEXT (extended regular expression) in it
refused() {
    want=$1 text=$2
    shift 2
    code=0
    "$program" "$@" > out 2> err < /dev/null || code=$?
    lines=$(wc -l < err)
    if [ "$code" != "$want" ] || [ "$lines" -ne 1 ] || ! grep -Eq -- "$text" err; then
        echo "ct_learned $*: exit $code (wanted $want), $lines lines (wanted one with '$text'):"
        cat err
        failed=1
    fi
}

# npy FILE SHAPE BYTES: zeros as little-endian f32
npy() {
    header=$(printf "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }%-60s" "$2" "")
    header=$(printf '%.117s' "$header")
    { printf '\223NUMPY\001\000\166\000%s\n' "$header"; head -c "$3" /dev/zero; } > "$1"
}

geom='geometry = parallel\ndetector_count = 40\ndetector_pitch = 1\nviews = 20\nangle_step = 0.157\nimage_size = 32 32\n'
printf "$geom" > good.geom
npy good.npy "20, 40" 3200
npy turned.npy "40, 20" 3200
npy short.npy "20, 40" 1000
npy other.npy "20, 41" 3280
{ head -c 128 good.npy; printf '\000\000\300\177'; head -c 3196 /dev/zero; } > nan.npy
printf 'no picture' > junk.npy
printf 'x' > file

refused 1 "missing.npy.*cannot be opened" missing.npy good.geom
refused 1 "missing.geom.*cannot be opened" good.npy missing.geom
refused 1 "junk.npy" junk.npy good.geom
refused 1 "short.npy.*truncated" short.npy good.geom
refused 1 "turned.npy.*40 x 20.*20 views x 40 bins" turned.npy good.geom
refused 1 "other.npy.*20 x 41" other.npy good.geom
refused 1 "nan.npy.*not a finite" nan.npy good.geom
refused 1 "good.npy" good.npy good.npy
printf "$geom" | sed 's/parallel/paralel/' > bad.geom
refused 1 "bad.geom.*line 1.*paralel" good.npy bad.geom
printf "$geom" | grep -v detector_count > bad.geom
refused 1 "bad.geom.*detector_count.*missing" good.npy bad.geom
printf "${geom}colour = blue\n" > bad.geom
refused 1 "bad.geom.*line 7.*colour" good.npy bad.geom
printf "$geom" | sed 's/ 40/ forty/' > bad.geom
refused 1 "bad.geom.*line 2.*forty" good.npy bad.geom
{ printf "$geom" | grep -v angle_step | grep -v views; echo 'angles = gone.npy'; } > bad.geom
refused 1 "gone.npy.*cannot be opened" good.npy bad.geom
refused 1 "gone.safetensors.*cannot be opened" --weights gone.safetensors
refused 1 "junk.npy" --weights junk.npy
refused 1 "short.npy" --weights short.npy
refused 1 "file/out.*folder" --out file/out
refused 1 "nowhere.*folder" --out nowhere
refused 1 "--views 21.*20 views" good.npy good.geom --views 21
refused 1 "--views 3.*at least 5" good.npy good.geom --views 3
refused 2 "whole number.*many" good.npy good.geom --views many
refused 2 "needs a value" --out
refused 2 "unknown option --weight" --weight
refused 2 "needs its geometry" good.npy
refused 2 "too many.*third" first second third
if "$program" --help > out 2> err && [ ! -s err ] && grep -q "SINOGRAM.npy" out; then :; else echo "--help failed"; failed=1; fi

# cancelled: exit 130, one line, nothing half-written
mkdir cancelled
"$program" --out cancelled > out 2> err < /dev/null &
pid=$!
sleep 2
kill -INT $pid
code=0
wait $pid || code=$?
if [ $code != 130 ] || [ "$(wc -l < err)" -ne 1 ] || ! grep -q cancelled err; then echo "cancelled run: exit $code"; cat err; failed=1; fi
for f in cancelled/*.tmp; do if [ -f "$f" ]; then echo "left behind: $f"; failed=1; fi; done
exit $failed
