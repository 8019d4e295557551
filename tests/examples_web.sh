#!/bin/sh
# SPDX-License-Identifier: MIT-0 OR Unlicense
# examples/web in headless Chromium: the page computes at 180 degrees, then the slider is dragged to 90. Exit 77 without emcc or Chromium.
#
#   tests/examples_web.sh [CC [PICTURE.png]]     CC is not used; also takes a picture of the page
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
browser=""
for b in chromium chromium-browser google-chrome; do
    if [ -z "$browser" ] && command -v $b > /dev/null 2>&1; then browser=$b; fi
done
command -v emcc > /dev/null 2>&1 || { echo "emcc is not installed"; exit 77; }
[ -n "$browser" ] || { echo "Chromium is not installed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sh "$root/examples/web/build.sh" "$work"
mkdir "$work/home"
export HOME="$work/home"

# The page with a visitor: when the first job is done the slider is moved; what both jobs showed goes into the document.
sed '/<\/body>/d; /<\/html>/d' "$work/index.html" > "$work/visit.html"
cat >> "$work/visit.html" <<'H'
<pre id="seen"></pre>
<script>
{
  const numbers = () => [1, 2, 3].map(i => $("psnr" + i).textContent.replace(" dB", "")).join(" ");
  const wait = then => { if (/loading|computing/.test($("state").textContent)) setTimeout(() => wait(then), 50); else then(); };
  const note = text => { $("seen").textContent += text + "\n"; };
  wait(() => {
    note("full " + $("state").textContent + " " + numbers());
    for (const v of [150, 120, 90]) { $("range").value = v; $("range").dispatchEvent(new Event("input", { bubbles: true })); }
    wait(() => { note("part " + $("state").textContent + " " + numbers() + " " + $("range-text").textContent); note("certificate " + $("certificate").textContent); });
  });
}
</script></body></html>
H
chromium_run() { timeout 300 "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$work/profile" --virtual-time-budget=200000 "$@" 2> "$work/log"; }
chromium_run --dump-dom "file://$work/visit.html" > "$work/dom" || { tail -n 5 "$work/log"; exit 1; }
sed -n '/<pre id="seen">/,/<\/pre>/p' "$work/dom" | sed 's/<[^>]*>//g' > "$work/seen"
cat "$work/seen"
awk '$1 == "full" && $2 == "done" && $3 > 10 && $4 > $3 && $5 > $4 { full = $5 }
     $1 == "part" && $2 == "done" && $3 > 5 && $4 > $3 + 3 && $5 > $3 + 3 && $5 < full - 3 && $6 == 90 && $8 == 30 { part = 1 }
     $1 == "certificate" && $2 ~ /^convex/ { proof = 1 }
     END { if (!full || !part || !proof) { print "the page did not show FBP < TV < learned at 180 degrees, both well above FBP at 90, and the certificate"; exit 1 } }' "$work/seen"
if [ $# -gt 1 ]; then chromium_run --window-size=1040,760 --screenshot="$2" "file://$work/visit.html" > /dev/null; fi
