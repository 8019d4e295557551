#!/usr/bin/env python3
# SPDX-License-Identifier: MIT-0 OR Unlicense
"""Writes a PyTorch state dictionary as .safetensors, which nrx_net_load reads.

    python3 torch_to_safetensors.py CHECKPOINT.pt OUTPUT.safetensors

From Python:   import torch_to_safetensors as t;  t.save(model.state_dict(), "model.safetensors")

Needs PyTorch to read the checkpoint and nothing else. nrx_net_load also reads .pt and .pth files directly; use this script
when a checkpoint holds more than tensors (optimizer state, pickled classes), which nrx refuses on purpose.
"""
import json
import struct
import sys

NAMES = {"torch.float32": "F32", "torch.float64": "F64", "torch.float16": "F16", "torch.bfloat16": "BF16",
         "torch.int64": "I64", "torch.int32": "I32", "torch.uint8": "U8", "torch.bool": "BOOL"}


def save(state, path, metadata=None):
    """state: name -> tensor (nested dictionaries are flattened with dots). Little-endian, tensors aligned to 8 bytes."""
    flat = {}

    def walk(prefix, value):
        if hasattr(value, "items"):
            for key, inner in value.items():
                walk(f"{prefix}.{key}" if prefix else str(key), inner)
        elif hasattr(value, "detach"):
            flat[prefix] = value.detach().cpu().contiguous()

    walk("", state)
    if not flat:
        raise ValueError("no tensor found in the state dictionary")
    header, blobs, offset = {}, [], 0
    if metadata:
        header["__metadata__"] = {str(k): str(v) for k, v in metadata.items()}
    for name, tensor in flat.items():
        kind = NAMES.get(str(tensor.dtype))
        if kind is None:
            raise ValueError(f"{name}: element type {tensor.dtype} has no name in safetensors")
        if kind == "BF16":
            tensor, kind = tensor.float(), "F32"
        blob = tensor.numpy().tobytes()
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for blob in blobs:
            f.write(blob)
    return len(flat), offset


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    import torch
    state = torch.load(sys.argv[1], map_location="cpu")
    for key in ("state_dict", "model_state_dict", "model"):
        if hasattr(state, "get") and hasattr(state.get(key), "items"):
            state = state[key]
            break
    if hasattr(state, "state_dict"):
        state = state.state_dict()
    count, size = save(state, sys.argv[2])
    print(f"{sys.argv[2]}: {count} tensors, {size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
