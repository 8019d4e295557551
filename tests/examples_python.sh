#!/bin/sh
# SPDX-License-Identifier: MIT-0 OR Unlicense
# examples/python: the shared library by the one line of nrx.py's first paragraph, the module's self-check, and torch_to_safetensors.py
# against the reader of nrx_nets.h. Exit 77 without Python and numpy; the part with PyTorch runs where it is installed.
#
#   tests/examples_python.sh [CC]
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=""
for p in python3 /usr/bin/python3; do
    if [ -z "$python" ] && "$p" -c "import numpy" > /dev/null 2>&1; then python=$p; fi
done
[ -n "$python" ] || { echo "python3 with numpy is not installed"; exit 77; }
line=$(sed -n 's/^ *\(cc -O2 -shared .*-lm\)$/\1/p' "$root/examples/python/nrx.py")
[ -n "$line" ] || { echo "nrx.py has no compile line"; exit 1; }
cd "$root"
sh -c "$(echo "$line" | sed "s|^cc|${1:-cc}|; s|-o [^ ]*|-o $work/libnrx.so|")"
NRX_LIB=$work/libnrx.so "$python" examples/python/nrx.py

"$python" -c "import torch" > /dev/null 2>&1 || { echo "PyTorch is not installed: torch_to_safetensors.py was not tried"; exit 0; }
cd "$work"
cat > make.py <<'P'
import sys
import torch
sys.path.insert(0, sys.argv[1])
import torch_to_safetensors as t
torch.manual_seed(1)
model = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 2))
state = {"net": model.state_dict(), "half": torch.randn(3, 5).half(), "brain": torch.randn(2, 2).bfloat16(), "wide": torch.randn(7).double(),
         "turned": torch.randn(3, 4).t()}
torch.save({"state_dict": state["net"], "epoch": 3}, "model.pt")
t.save(state, "direct.safetensors")
flat = {"net." + k: v for k, v in state["net"].items()}
flat.update({k: v for k, v in state.items() if k != "net"})
for name, file in (("direct", flat), ("model", state["net"])):
    with open(name + ".expected", "w") as f:
        for k in sorted(file):
            v = file[k].double().contiguous().flatten()
            f.write("%s %s %.6f\n" % (k, "x".join(map(str, file[k].shape)), float((v * torch.arange(1, v.numel() + 1)).sum())))
P
"$python" make.py "$root/examples/python"
"$python" "$root/examples/python/torch_to_safetensors.py" model.pt model.safetensors
cat > read.c <<'P'
#define NRX_VERBOSE
#define NRX_NETS_IMPLEMENTATION
#include "nrx_nets.h"
int main(int argc, char **argv)
{
    nrx_net_checkpoint *c = NULL;
    size_t i, k;
    if (argc < 2 || nrx_net_checkpoint_open(argv[1], NULL, &c) != NRX_OK) return 1;
    for (i = 0; i < nrx_net_checkpoint_count(c); i++) {
        const nrx_net_weight *w = nrx_net_checkpoint_at(c, i);
        double sum = 0; /* weighted by place: a permutation shows */
        printf("%s ", w->name);
        for (k = 0; k < (size_t)w->ndim; k++) printf(k ? "x%lu" : "%lu", (unsigned long)w->shape[k]);
        for (k = 0; k < w->count; k++) sum += (double)(k + 1) * (double)w->data[k];
        printf(" %.6f\n", sum);
    }
    nrx_net_checkpoint_free(c);
    return 0;
}
P
${1:-cc} -O1 -I"$root" read.c -o read -lm
for name in direct model; do
    ./read $name.safetensors | LC_ALL=C sort > $name.read
    LC_ALL=C sort $name.expected | awk 'NR == FNR { a[$1] = $0; n++; next } { split(a[$1], e, " "); d = e[NF] - $NF
        if (!($1 in a) || (NF == 3 && e[2] != $2) || d > 2e-4 || d < -2e-4) { print "differs: " a[$1] " / " $0; bad = 1 } m++ }
        END { if (n != m || !n) { print n " tensors written, " m " read"; bad = 1 } exit bad }' - $name.read
done
echo "torch_to_safetensors.py: what PyTorch wrote came back"
