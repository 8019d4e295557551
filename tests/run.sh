#!/bin/sh
# SPDX-License-Identifier: MIT-0 OR Unlicense
# Builds and runs everything that a change must pass.
#
#   tests/run.sh                 all groups; needs a C compiler, more tools are used when they are there
#   tests/run.sh unit docs       some groups
#   tests/run.sh --quick         under a minute: the blocks, one strict build of each header, the documents, short unit tests
#   tests/run.sh --long          adds emulators, a million fuzz inputs per reader and the sweeps of tests/long
#   tests/run.sh unit/ct_fbp     one case (or all whose name starts so)
#
# Ends with "N passed, N failed, N skipped". CC chooses the first compiler, JOBS the number of cases run at a time.
# New headers, tests/unit/*.c, tests/fuzz/*.c, tests/long/*.c and examples/*.c are picked up by being there.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
all_groups="blocks compile docs unit sanitize alloc threads fp reproducible fuzz arch examples"
quick=0 long=0 groups="" only="" whole=""
for arg; do
    case $arg in
    --quick) quick=1 ;;
    --long) long=1 ;;
    */*) only="$only $arg"; case " $groups " in *" ${arg%%/*} "*) ;; *) groups="$groups ${arg%%/*}" ;; esac ;;
    -*) sed -n '4,12s/^# \{0,1\}//p' "$0"; exit 2 ;;
    *) case " $all_groups long " in *" $arg "*) groups="$groups $arg" whole="$whole $arg/" ;; *) echo "run.sh: no group '$arg' (groups: $all_groups)" >&2; exit 2 ;; esac ;;
    esac
done
[ -n "$only" ] && only="$only$whole" # a whole group beside single cases keeps all of its own
if [ -z "$groups" ]; then
    groups=$all_groups
    [ $quick = 1 ] && groups="blocks compile docs unit"
    [ $long = 1 ] && groups="$groups long"
fi

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
have() { command -v "$1" >/dev/null 2>&1; }
if [ -n "${CC:-}" ]; then cc=$CC; elif have cc; then cc=cc; elif have gcc; then cc=gcc; elif have clang; then cc=clang; else cc=tcc; fi
jobs=${JOBS:-$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)}
strict="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes -Werror"
strictpp="-Wall -Wextra -Wpedantic -Wshadow -Werror"
headers=$(cd "$root" && ls nrx_*.h)
upper() { echo "$1" | sed 's/\.h$//' | tr '[:lower:]' '[:upper:]'; } # nrx_ct.h -> NRX_CT

# Does COMPILER FLAGS... build a program that links and, unless -c is among them, runs?
works() {
    echo 'int main(void) { return 0; }' > "$tmp/works.c"
    "$@" "$tmp/works.c" -o "$tmp/works.out" >/dev/null 2>&1
}

# ---- cases: a script each; exit code 0 passed, 77 skipped, else failed ----
passed=0 failed=0 skipped=0 number=0
mkdir -p "$tmp/case"

add() { # add NAME: the script comes from standard input; $work is a fresh folder, $root the repository
    if [ -n "$only" ]; then
        wanted=0
        for o in $only; do case $1 in "$o"*) wanted=1 ;; esac; done
        if [ $wanted = 0 ]; then cat >/dev/null; filtered=$((filtered + 1)); return; fi
    fi
    number=$((number + 1))
    id=$(printf '%05d' $number)
    printf '%s\n' "$1" > "$tmp/case/$id.name"
    { echo "set -eu; root='$root'; work='$tmp/work/$id'; mkdir -p \"\$work\"; cd \"\$work\""; cat; } > "$tmp/case/$id.sh"
}

skip() { # skip NAME REASON
    skipped=$((skipped + 1))
    group_skips=$((group_skips + 1))
    echo "skipped $1: $2"
}

run_one='
f=$1; base=${f%.sh}
begin=$(date +%s)
sh "$f" > "$base.out" 2>&1 < /dev/null
echo $? > "$base.rc"
echo $(($(date +%s) - begin)) > "$base.seconds"
rm -rf "$(dirname "$(dirname "$f")")/work/$(basename "$base")"
'

finish_group() {
    set -- "$tmp"/case/*.sh
    if [ -f "$1" ]; then
        if [ "$jobs" -gt 1 ] && echo x | xargs -P 2 echo >/dev/null 2>&1; then
            printf '%s\n' "$@" | xargs -P "$jobs" -n 1 sh -c "$run_one" run_one
        else
            for f; do sh -c "$run_one" run_one "$f"; done
        fi
        for f; do
            base=${f%.sh}
            name=$(cat "$base.name") rc=$(cat "$base.rc" 2>/dev/null || echo 99)
            case $rc in
            0) passed=$((passed + 1)); [ -n "${VERBOSE:-}" ] && echo "passed $name ($(cat "$base.seconds") s)" ;;
            77) skipped=$((skipped + 1)); echo "skipped $name: $(tail -n 1 "$base.out")" ;;
            *) failed=$((failed + 1)); echo "FAILED $name (exit $rc)"; head -c 3000 "$base.out" | head -n 40 ;;
            esac
        done
        ran=$#
    else
        ran=0
    fi
    rm -f "$tmp"/case/*
    if [ $ran = 0 ] && [ $group_skips = 0 ] && [ $filtered = 0 ]; then
        failed=$((failed + 1))
        echo "FAILED $group: no case ran and no missing tool was named"
    fi
    echo "-- $group: $ran cases, $group_skips skips, $(($(date +%s) - group_begin)) s"
}

directive() { sed -n '1,10p' "$1" | grep "run:" | grep -qw "$2"; } # has the test file this directive?
base_name() { basename "$1" .c; }

# ---- groups ----

group_blocks() {
    add blocks/check <<E
"$root/tests/blocks.sh" --check
E
    # the check itself must notice a changed copy, a stale stamp and a stale twin
    add blocks/notices <<'E'
mkdir tests; cp "$root"/nrx_*.h .; cp "$root/tests/blocks.sh" tests/
tests/blocks.sh --check
for h in nrx_*.h; do
    cp $h keep
    sed 's|^NRXI_FN size_t nrxi_dtype_size|/* touched */ &|' keep > $h
    if tests/blocks.sh --check > /dev/null; then echo "a changed core in $h was not noticed"; exit 1; fi
    cp keep $h
done
E
}

compile_alone() { # compile_alone NAME HEADER COMPILER FLAGS...: alone in an empty folder, implemented, included twice, linked, run
    cname=$1 h=$2
    shift 2
    up=$(upper "$h")
    room=$(room_of "$h")
    add "compile/$h/$cname" <<E
cp "$root/$h" .
cat > x.c <<'C'
#define ${up}_IMPLEMENTATION
#include "$h"
#include "$h"
#include <stdio.h>
int main(void) { return nrx_${room}_version()[0] == 0 || puts("") < 0; }
C
$* x.c -o x -lm
[ -n "${NORUN:-}" ] || ./x
E
}

syntax() { # syntax NAME HEADER "COMPILER FLAGS"...: the implementation is only checked, under each of the command lines
    cname=$1 h=$2 commands=""
    shift 2
    for command; do commands="$commands
$command -fsyntax-only x.c"; done
    add "compile/$h/$cname" <<E
cp "$root/$h" .
printf '#define $(upper "$h")_IMPLEMENTATION\n#include "$h"\n#include "$h"\n' > x.c
$commands
E
}

room_of() { case $1 in nrx_tensor.h) echo t ;; nrx_nets.h) echo net ;; nrx_optim.h) echo opt ;; nrx_symplectic.h) echo sym ;; nrx_dynsys.h) echo dyn ;; *) echo "$1" | sed 's/nrx_\(.*\)\.h/\1/' ;; esac; }

group_compile() {
    for h in $headers; do
        if [ $quick = 1 ]; then
            compile_alone "quick" $h $cc -std=c99 $strict -O0
            continue
        fi
        for c in gcc clang; do
            have $c || continue
            for level in -O0 -O1 -O2 -O3; do compile_alone "$c$level" $h $c -std=c99 $strict $level; done
            syntax "$c-standards" $h "$c -std=c11 $strict" "$c -std=c17 $strict" "$c -std=c2x $strict"
            syntax "$c-macros" $h "$c -std=c99 $strict -DNRX_NO_SIMD" "$c -std=c99 $strict -DNRX_NO_STDIO" "$c -std=c99 $strict -DNRX_VERBOSE" \
                "$c -std=c99 $strict -DNRX_REPRODUCIBLE" "$c -std=c99 $strict -DNRX_STATIC"
        done
        have gcc || have clang || compile_alone "$cc" $h $cc
        if have g++; then
            compile_alone "g++-c++11" $h g++ -x c++ -std=c++11 $strictpp -O0
            syntax "g++-standards" $h "g++ -x c++ -std=c++17 $strictpp" "g++ -x c++ -std=c++20 $strictpp" "g++ -x c++ -std=c++11 $strictpp -DNRX_STATIC"
        fi
        if have clang++; then
            syntax "clang++-standards" $h "clang++ -x c++ -std=c++11 $strictpp" "clang++ -x c++ -std=c++17 $strictpp" "clang++ -x c++ -std=c++20 $strictpp"
        fi
        if have tcc; then compile_alone tcc $h tcc -Wall -Werror; fi
        if have gcc && works gcc -m32; then compile_alone gcc-m32 $h gcc -m32 -std=c99 $strict -O1; fi
        if have musl-gcc; then compile_alone musl $h musl-gcc -std=c99 $strict -O1; fi
    done
    for tool in gcc clang g++ clang++ tcc musl-gcc; do have $tool || skip "compile with $tool" "$tool is not installed"; done
    if have gcc && ! works gcc -m32; then skip "compile with -m32" "gcc cannot build 32-bit programs"; fi

    syntax="$cc -std=c99 -O0 -c -o pair.o $strict"
    if have clang; then syntax="clang -std=c99 -fsyntax-only $strict"; fi
    if [ $quick = 0 ]; then for a in $headers; do for b in $headers; do
        [ $a = $b ] && continue
        add "compile/pair-$a-$b" <<E
cp "$root/$a" "$root/$b" .
printf '#define NRX_IMPLEMENTATION\n#include "$a"\n#include "$b"\nint main(void) { return 0; }\n' > both.c
printf '#define $(upper $a)_IMPLEMENTATION\n#include "$a"\n#include "$b"\nint main(void) { return 0; }\n' > one.c
$syntax both.c
$cc -std=c99 -O0 -w one.c -o one -lm
./one
E
    done; done; fi
    backwards=$(echo $headers | tr ' ' '\n' | LC_ALL=C sort -r | tr '\n' ' ')
    add compile/amalgamation <<E
for order in "$(echo $headers)" "$backwards"; do
    { echo '#define NRX_IMPLEMENTATION'; (cd "$root" && cat \$order); echo 'int main(void) { return 0; }'; } > all.c
    $cc -std=c99 $strict -O0 all.c -o all -lm
    ./all
done
if command -v g++ > /dev/null; then g++ -x c++ -std=c++11 $strictpp -O0 all.c -o allpp -lm; ./allpp; fi
E
    add compile/split <<E
cp "$root"/nrx_*.h .
objects=""
for h in $(echo $headers); do
    up=\$(echo \$h | sed 's/\.h//' | tr '[:lower:]' '[:upper:]')
    printf '#define %s_IMPLEMENTATION\n#include "%s"\n' \$up \$h > part_\$h.c
    $cc -std=c99 $strict -O0 -c part_\$h.c -o part_\$h.o
    objects="\$objects part_\$h.o"
done
for h in $(echo $headers); do printf '#include "%s"\n' \$h; done > main.c
printf 'int other(void); int other(void) { return 0; }\n' > tail
cat tail main.c > user.c
echo 'int main(void) { return 0; }' >> main.c
$cc -std=c99 $strict -O0 main.c user.c \$objects -o split -lm
./split
E
    add compile/static-twice <<E
cp "$root"/nrx_*.h .
for h in $(echo $headers); do printf '#include "%s"\n' \$h; done > list
{ echo '#define NRX_STATIC'; cat list; echo 'int other(void); int other(void) { return nrx_t_version()[0]; }'; } > a.c
{ echo '#define NRX_STATIC'; cat list; echo 'int other(void); int main(void) { return other() != nrx_t_version()[0]; }'; } > b.c
$cc -std=c99 $strict -O0 a.c b.c -o both -lm
./both
E
    [ $quick = 1 ] && return
    add compile/refused <<E
# version skew and a late NRX_STATIC must stop the compiler with a sentence
cp "$root"/nrx_*.h .
set -- $(echo $headers)
if [ \$# -gt 1 ]; then
    sed 's/NRX_CORE_VERSION [0-9][0-9]*/NRX_CORE_VERSION 1/; s/NRX_CORE_VERSION != [0-9][0-9]*/NRX_CORE_VERSION != 1/' \$2 > skew.h
    printf '#include "%s"\n#include "skew.h"\nint main(void) { return 0; }\n' \$1 > skew.c
    if $cc -c skew.c -o skew.o 2> err; then echo "version skew was accepted"; exit 1; fi
    grep -q "different versions" err
    printf '#include "%s"\n#define NRX_STATIC\n#include "%s"\nint main(void) { return 0; }\n' \$1 \$2 > late.c
    if $cc -c late.c -o late.o 2> err; then echo "a late NRX_STATIC was accepted"; exit 1; fi
    grep -q "NRX_STATIC must be defined before" err
fi
E
    if have nm && have gcc; then for h in $headers; do
        add "compile/symbols-$h" <<E
cp "$root/$h" .
printf '#define $(upper $h)_IMPLEMENTATION\n#include "$h"\n' > x.c
gcc -std=c99 -O1 -fno-pic -fno-pie -c x.c
nm x.o > symbols
if grep -E ' [A-Z] ' symbols | grep -v ' U ' | awk '{ print \$NF }' | grep -v '^nrx_[a-z0-9_]*\$'; then echo "exported without the nrx_ prefix"; exit 1; fi
if grep -E ' [BbDdC] ' symbols; then echo "writable data"; exit 1; fi
# every function declared with NRX_DEF before the end of the declarations is really there
awk '/^#endif \/\* NRX_[A-Z]*_H \*\// { exit } { print }' $h | tr '\n' ' ' |
    grep -o 'NRX_DEF [^;{]*(' | sed 's/(.*//; s/.*[ *]//' | grep '^nrx_' | LC_ALL=C sort -u > declared
awk '\$2 == "T" { print \$3 }' symbols | LC_ALL=C sort -u > defined
[ -s declared ]
LC_ALL=C comm -23 declared defined > missing
if [ -s missing ]; then echo "declared but not defined:"; cat missing; exit 1; fi
LC_ALL=C comm -13 declared defined > hidden
if [ -s hidden ]; then echo "defined but not declared:"; cat hidden; exit 1; fi
E
    done; else skip compile/symbols "nm or gcc is not installed"; fi
}

group_docs() {
    for h in $headers; do
        add "docs/$h" <<E
awk '/^ \* >>> example/ { on = 1; next } /^ \* <<< example/ { exit } on' "$root/$h" | sed 's/^ \*  \{0,1\}//; s/^ \*\$//' > example.c
[ -s example.c ] || { echo "the banner of $h has no example"; exit 1; }
$cc -std=c99 -O1 -Wall -Wextra -Werror -I"$root" example.c -o example -lm
./example > printed
[ -s printed ] || { echo "the example prints nothing"; exit 1; }
# what the header says itself, besides the blocks it shares with the others
awk '/^\/\* >>> nrx / { shared = 1 } !shared { lines++; bytes += length(\$0) + 1 } /^\/\* <<< nrx / { shared = 0 }
     END { if (lines > 10000 || bytes > 465000) { print "$h has", lines, "lines and", bytes, "bytes of its own: more than 10000 or 465000"; exit 1 } }' "$root/$h"
E
    done
    add docs/README <<E
awk '/^\`\`\`c\$/ { n++; on = 1; next } /^\`\`\`/ { on = 0 } on { print > ("snippet" n ".c") }' "$root/README.md"
for s in snippet*.c; do
    [ -f "\$s" ] || { echo "README.md has no C snippet"; exit 1; }
    $cc -std=c99 -O1 -Wall -Wextra -Werror -I"$root" "\$s" -o snippet -lm || { cat "\$s"; exit 1; }
    ./snippet > /dev/null || { cat "\$s"; exit 1; }
done
E
    add docs/licence <<'E'
cd "$root"
for f in $(git ls-files 2>/dev/null | grep -E '\.(h|c|sh|py|js|html)$|^\.ci/run$|^LICENSE$' || ls nrx_*.h); do
    [ -f "$f" ] || continue
    head -n 6 "$f" | grep -q "SPDX-License-Identifier: MIT-0 OR Unlicense" || { echo "$f has no SPDX line"; exit 1; }
done
E
}

units() { ls "$root"/tests/unit/*.c 2>/dev/null; }

# Builds a unit test as ./t: unit.sh FILE COMPILER FLAGS... A test that looks at nothing private is linked with its headers'
# implementations, which are compiled once for the same flags; the others carry theirs.
cat > "$tmp/unit.sh" <<E
set -eu
root='$root' libs='$tmp/lib'
E
cat >> "$tmp/unit.sh" <<'E'
file=$1
shift
include="-I$root -I$root/tests -I$root/tests/unit"
if grep -qi 'nrxi_\|the implementation is in this unit' "$file" || grep -Eq '^ *# *define NRX_(MALLOC|LOG|NO_|USE_|STATIC|DEF|MAX)' "$file"; then
    "$@" $include "$file" -o t -lm -lpthread
    exit
fi
dir=$libs/$(echo "$@" | sed 's/-DNRX_TEST_[A-Z_]*//g' | cksum | cut -d' ' -f1)
mkdir -p "$dir"
objects=""
for h in $(sed -n 's/^#include "\(nrx_[a-z]*\)\.h".*/\1/p' "$file" | grep -v nrx_test); do
    o=$dir/$h.o
    if mkdir "$dir/$h.lock" 2> /dev/null; then
        printf '#define %s_IMPLEMENTATION\n#include "%s.h"\n' "$(echo $h | tr '[:lower:]' '[:upper:]')" $h > "$dir/$h.c"
        if "$@" $include -c "$dir/$h.c" -o "$o.part"; then mv "$o.part" "$o"; else touch "$o.failed"; fi
    fi
    while [ ! -e "$o" ]; do
        [ ! -e "$o.failed" ] || { echo "$h.h does not compile with $*"; exit 1; }
        sleep 1
    done
    objects="$objects $o"
done
sed '/^#define NRX_[A-Z]*_IMPLEMENTATION/d' "$file" > linked.c
"$@" $include linked.c $objects -o t -lm -lpthread
E

# add_unit GROUP FILE VARIANT COMPILER FLAGS...
add_unit() {
    ug=$1 uf=$2 uv=$3
    shift 3
    add "$ug/$(base_name "$uf")${uv:+-$uv}" <<E
sh "$tmp/unit.sh" "$uf" $*
${RUNNER:-} ./t
E
}

group_unit() {
    for u in $(units); do
        [ $quick = 1 ] && ! directive "$u" quick && continue
        add_unit unit "$u" "" $cc -std=c11 -O2 -Wall -Wextra -Werror
    done
}

group_sanitize() {
    san=""
    if have clang && works clang -fsanitize=address,undefined; then san="clang -fsanitize=address,undefined,float-cast-overflow,implicit-integer-truncation"
    elif works $cc -fsanitize=address,undefined; then san="$cc -fsanitize=address,undefined"
    else skip sanitize/address "no compiler here has AddressSanitizer"; fi
    [ -n "$san" ] && for u in $(units); do add_unit sanitize "$u" address $san -fno-sanitize-recover=all -std=c11 -O1 -g1 -w; done
    if have clang && works clang -fsanitize=memory; then
        for u in $(units); do add_unit sanitize "$u" memory clang -fsanitize=memory -fno-sanitize-recover=all -std=c11 -O1 -g1 -w; done
    else skip sanitize/memory "clang with MemorySanitizer is not installed"; fi
}

group_alloc() {
    flags=""
    works $cc -fsanitize=address && flags="-fsanitize=address -fno-sanitize-recover=all"
    for u in $(units); do directive "$u" alloc && add_unit alloc "$u" "" $cc $flags -std=c11 -O1 -g1 -w -DNRX_TEST_ALLOC; done
}

group_threads() {
    tsan=""
    for c in clang $cc; do if [ -z "$tsan" ] && have $c && works $c -fsanitize=thread; then tsan="$c -fsanitize=thread"; fi; done
    omp=""
    for c in $cc gcc clang; do if [ -z "$omp" ] && have $c && works $c -fopenmp; then omp="$c -fopenmp"; fi; done
    [ -n "$tsan" ] || skip threads/tsan "no compiler here has ThreadSanitizer"
    [ -n "$omp" ] || skip threads/openmp "no compiler here has OpenMP"
    for u in $(units); do
        directive "$u" threads || continue
        n=$(base_name "$u")
        add "threads/$n" <<E
sh "$tmp/unit.sh" "$u" $cc -std=c11 -O2 -w -DNRX_TEST_THREADS && mv t hook
for workers in 1 2 7; do NRX_TEST_WORKERS=\$workers ./hook > out.\$workers; done
cat out.1
grep -q checksum out.1
cmp out.1 out.2
cmp out.1 out.7
if [ -n "$omp" ]; then
    sh "$tmp/unit.sh" "$u" $omp -std=c11 -O2 -w -DNRX_TEST_THREADS && mv t omp
    for workers in 1 2 7; do OMP_NUM_THREADS=\$workers ./omp > omp.\$workers; cmp omp.1 omp.\$workers; done
    grep checksum omp.1
fi
E
        [ -n "$tsan" ] && RUNNER="NRX_TEST_WORKERS=7" add_unit threads "$u" tsan $tsan -std=c11 -O1 -g1 -w -DNRX_TEST_THREADS
    done
}

group_fp() {
    for u in $(units); do
        add_unit fp "$u" off-scalar $cc -std=c11 -O2 -w -ffp-contract=off -DNRX_NO_SIMD
        works $cc -march=native && add_unit fp "$u" fast-native $cc -std=gnu11 -O2 -w -ffp-contract=fast -march=native
        directive "$u" fp && add_unit fp "$u" fast-math $cc -std=gnu11 -O1 -w -ffast-math -DNRX_TEST_FAST_MATH
    done
}

group_reproducible() {
    for u in $(units); do
        directive "$u" reproducible || continue
        n=$(base_name "$u")
        add "reproducible/$n" <<E
found=0
for c in gcc clang; do
    command -v \$c > /dev/null || continue
    for flags in "-std=c99 -O0" "-std=gnu11 -O1" "-std=gnu11 -O2 -march=native" "-std=gnu11 -O3 -march=native"; do
        sh "$tmp/unit.sh" "$u" \$c \$flags -w -DNRX_REPRODUCIBLE -DNRX_TEST_REPRODUCIBLE
        ./t > out
        grep checksum out > sums
        if [ \$found = 0 ]; then cp sums first; found=1; fi
        cmp first sums || { echo "\$c \$flags gives other bits:"; diff first sums; exit 1; }
    done
done
[ \$found = 1 ] || { echo "neither gcc nor clang is installed"; exit 77; }
E
    done
}

group_fuzz() {
    rounds=4000
    [ $long = 1 ] && rounds=1000000
    flags=""
    works $cc -fsanitize=address,undefined && flags="-fsanitize=address,undefined -fno-sanitize-recover=all"
    for f in "$root"/tests/fuzz/*.c; do
        [ -f "$f" ] && [ "$(base_name "$f")" != driver ] || continue
        add "fuzz/$(base_name "$f")" <<E
$cc $flags -std=c11 -O1 -g1 -w -I"$root" -I"$root/tests" "$f" "$root/tests/fuzz/driver.c" -o t -lm
./t $rounds
E
        if [ $long = 1 ] && have clang && works clang -fsanitize=fuzzer,address; then
            add "fuzz/$(base_name "$f")-libfuzzer" <<E
clang -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -std=c11 -O1 -g1 -w -I"$root" -I"$root/tests" "$f" -o t -lm
./t -runs=1000000 -max_len=4096 -max_total_time=600 -print_final_stats=0 2> log || { tail -n 40 log; exit 1; }
E
        fi
    done
}

# Unit tests on other processors: QEMU's user mode runs them; wasm and Windows programs are built, and run where possible.
group_arch() {
    archs="aarch64-linux-gnu:qemu-aarch64:/usr/aarch64-linux-gnu arm-linux-gnueabihf:qemu-arm:/usr/arm-linux-gnueabihf
           riscv64-linux-gnu:qemu-riscv64:/usr/riscv64-linux-gnu s390x-linux-gnu:qemu-s390x:/usr/s390x-linux-gnu"
    for a in $archs; do
        target=${a%%:*} rest=${a#*:}
        qemu=${rest%%:*} sysroot=${rest#*:}
        if ! have $target-gcc || ! have $qemu; then skip "arch/$target" "$target-gcc or $qemu is not installed"; continue; fi
        for u in $(units); do
            [ $long = 1 ] || directive "$u" arch || continue
            RUNNER="NRX_TEST_FEW=1 $qemu -L $sysroot" add_unit arch "$u" "$target" $target-gcc -std=c11 -O2 -w
        done
    done
    for h in $headers; do
        if have x86_64-w64-mingw32-gcc; then NORUN=1 compile_alone mingw $h x86_64-w64-mingw32-gcc -std=c99 $strict -O1; fi
        if have emcc; then NORUN=1 compile_alone wasm $h emcc -std=c99 -O1 -Wall; fi
    done
    have x86_64-w64-mingw32-gcc || skip arch/mingw "x86_64-w64-mingw32-gcc is not installed"
    have emcc || skip arch/wasm "emcc is not installed"
    add arch/bare-metal <<E
sh "$root/tests/bare_metal.sh" "$cc"
E
}

# Each example is compiled as its first comment says and run; lines "// expect: TEXT" in its source must be printed (extended
# regular expressions). Examples with a line "// not run by the tests: REASON" are built only.
group_examples() {
    for e in "$root"/examples/*.c; do
        [ -f "$e" ] || continue
        add "examples/$(base_name "$e")" <<E
cp "$root"/nrx_*.h .
mkdir examples
cp "$root"/examples/*.[ch] examples/
cp "$root"/examples/*.inc examples/ 2> /dev/null || true
name=$(base_name "$e")
line=\$(sed -n '1,12s/.*\(cc -O2 .*-lm\).*/\1/p' examples/\$name.c | head -n 1)
[ -n "\$line" ] || { echo "no compile line in the first comment"; exit 1; }
sh -c "\$(echo "\$line" | sed "s|^cc|$cc -Wall -Wextra -Werror|")"
sed -n 's|^.*// expect: ||p' examples/\$name.c > expected
if [ ! -s expected ]; then
    grep -q '// not run by the tests: ' examples/\$name.c || { echo "no line // expect: TEXT, nor // not run by the tests: REASON"; exit 1; }
    exit 0
fi
./\$name > printed 2> errors < /dev/null || { cat printed errors; exit 1; }
while read -r text; do
    grep -Eq -- "\$text" printed || { echo "expected to be printed: \$text"; cat printed; exit 1; }
done < expected
E
    done
    for e in errors python web; do # each says itself what it misses
        add "examples/$e" <<E
sh "$root/tests/examples_$e.sh" "$cc"
E
    done
}

group_long() {
    for f in "$root"/tests/long/*.c; do
        [ -f "$f" ] && add_unit long "$f" "" $cc -std=c11 -O2
    done
}

for group in $groups; do
    group_skips=0 filtered=0 group_begin=$(date +%s)
    group_$group
    finish_group
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
