#!/bin/sh
# SPDX-License-Identifier: MIT-0 OR Unlicense
# Keeps the shared blocks of the headers identical.
#
#   tests/blocks.sh --check   fails when a copy differs from its home, a stamp is stale or a twin is not regenerated
#   tests/blocks.sh --sync    regenerates twins, stamps versions and copies each home's text over the other copies
#
# A block stands between    /* >>> nrx NAME (declarations) */      and  /* <<< nrx NAME (declarations) */
#                       or  /* >>> nrx NAME (implementation) */    and  /* <<< nrx NAME (implementation) */
# Glue stands between       /* >>> nrx glue A B */                 and  /* <<< nrx glue A B */          (home: header A)
# Its version macro (NRX_NAME_VERSION or NRXI_NAME_VERSION, in #define and #elif) is stamped from a checksum of its text.
# A twin is f64 text between /* >>> twin f64 */ and /* === twin f32 */; what follows up to /* <<< twin */ is generated from it:
# double -> float, f64 -> f32, F64 -> F32, DBL_ -> FLT_, and sqrt fabs floor ... -> sqrtf fabsf floorf ... . Write literals
# of twins as (double)0.5.
set -eu
mode=${1:-}
case $mode in --check | --sync) ;; *) echo "usage: tests/blocks.sh --check|--sync" >&2; exit 2 ;; esac
root=$(cd "$(dirname "$0")/.." && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cp "$root"/nrx_*.h "$tmp"/
cd "$tmp"

home_of() {
    case $1 in
    core | math | gemm | fft | linalg | files) echo nrx_tensor.h ;;
    solve | adam) echo nrx_optim.h ;;
    "glue "*) set -- $1; echo "nrx_$2.h" ;;
    *) echo "blocks.sh: block '$1' has no home" >&2; exit 1 ;;
    esac
}

# f32 twins from f64 text
for h in nrx_*.h; do
    awk '
    /^[ \t]*\/\* >>> twin f64/ { print; text = ""; state = 1; next }
    /^[ \t]*\/\* === twin f32/ {
        print; state = 2
        gsub(/f64/, "f32", text); gsub(/F64/, "F32", text); gsub(/DBL_/, "FLT_", text)
        n = split("sqrt fabs floor ceil fmin fmax copysign hypot exp log sin cos tan atan2 atan pow fmod rint ldexp frexp", fn, " ")
        out = ""
        while (match(text, /[A-Za-z_][A-Za-z_0-9]*/)) {
            word = substr(text, RSTART, RLENGTH)
            tail = substr(text, RSTART + RLENGTH)
            if (word == "double") word = "float"
            else if (substr(tail, 1, 1) == "(") for (i = 1; i <= n; i++) if (word == fn[i]) { word = word "f"; break }
            out = out substr(text, 1, RSTART - 1) word
            text = tail
        }
        printf "%s", out text
        next
    }
    /^[ \t]*\/\* <<< twin/ { state = 0 }
    state == 2 { next }
    { print }
    state == 1 { text = text $0 "\n" }' "$h" > out.tmp
    mv out.tmp "$h"
done

extract() { # extract FILE MARK: the lines between the marks
    awk -v a="/* >>> nrx $2 */" -v b="/* <<< nrx $2 */" '$0 == a { on = 1; next } $0 == b { on = 0 } on' "$1"
}

replace() { # replace FILE MARK TEXTFILE
    awk -v a="/* >>> nrx $2 */" -v b="/* <<< nrx $2 */" -v f="$3" '
    $0 == a { print; while ((getline line < f) > 0) print line; close(f); on = 1; next }
    $0 == b { on = 0 }
    !on { print }' "$1" > out.tmp
    mv out.tmp "$1"
}

sed -n 's|^/\* >>> nrx \(.*\) \*/$|\1|p' nrx_*.h | LC_ALL=C sort -u > marks
while read -r mark; do
    name=${mark% (*}
    home=$(home_of "$name")
    if ! grep -qxF "/* >>> nrx $mark */" "$home"; then
        echo "blocks.sh: '$mark' stands in a copy but not in its home $home" >&2
        exit 1
    fi
    for h in nrx_*.h; do
        a=$(grep -cxF "/* >>> nrx $mark */" "$h" || true)
        b=$(grep -cxF "/* <<< nrx $mark */" "$h" || true)
        if [ "$a" != "$b" ] || [ "$a" -gt 1 ]; then
            echo "blocks.sh: $h has $a opening and $b closing marks of '$mark'" >&2
            exit 1
        fi
    done
    extract "$home" "$mark" > text
    case $name in "glue "*) ;; *)
        sed -E 's/(NRXI?_[A-Z]+_VERSION)( != | )[0-9]+/\1\20/' text > zeroed
        stamp=$(cksum < zeroed | cut -d' ' -f1)
        sed -E "s/(NRXI?_[A-Z]+_VERSION)( != | )[0-9]+/\\1\\2$stamp/" zeroed > text
        ;;
    esac
    for h in nrx_*.h; do
        grep -qxF "/* >>> nrx $mark */" "$h" && replace "$h" "$mark" text
    done
done < marks

status=0
for h in nrx_*.h; do
    cmp -s "$h" "$root/$h" && continue
    if [ "$mode" = --sync ]; then
        cat "$h" > "$root/$h"
        echo "updated $h"
    else
        echo "blocks.sh: $h differs from its homes (run tests/blocks.sh --sync):"
        diff "$root/$h" "$h" | head -12
        status=1
    fi
done
exit $status
