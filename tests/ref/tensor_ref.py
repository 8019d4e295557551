#!/usr/bin/env python3
# SPDX-License-Identifier: MIT-0 OR Unlicense
"""Writes tests/ref/tensor_ref.inc: results of numpy and PyTorch (f64) for operators of nrx_tensor.h.

Inputs are closed-form: element i (row-major) of input number k is sin(0.7 i + 1.3 k) * scale + shift.
Each line is   REF(name, n, {values})   where values are the first entries (at most 12) and then the sum of all entries
and the sum of their squares.   Run:  python3 tests/ref/tensor_ref.py > tests/ref/tensor_ref.inc"""
import numpy as np, torch, torch.nn.functional as F
torch.set_default_dtype(torch.float64)

def inp(k, *shape, scale=1.0, shift=0.0):
    n = int(np.prod(shape))
    return torch.tensor(np.sin(0.7 * np.arange(n) + 1.3 * k) * scale + shift).reshape(shape)

a, b = inp(0, 3, 4), inp(1, 3, 4)
p = inp(2, 3, 4, scale=0.5, shift=1.0)          # positive
u = inp(3, 3, 4, scale=0.9)                     # in (-1, 1)
c3, row = inp(4, 2, 3, 4), inp(5, 4)
img = inp(6, 2, 3, 6, 5)
sq = inp(7, 2, 3, 3) + 3 * torch.eye(3)
spd = inp(8, 3, 3) @ inp(8, 3, 3).T + torch.eye(3)
tall = inp(9, 5, 3) + 2 * inp(9, 5, 3) ** 2  # a sampled sine alone has rank two
idx = torch.tensor([[2, 0, 1, 1], [0, 2, 2, 1]])
lab = torch.tensor([1, 3, 0])
R = {}
R["add"] = a + row; R["sub"] = a - b; R["mul"] = a * b; R["div"] = a / p; R["pow"] = p ** b; R["atan2"] = torch.atan2(a, b)
R["maximum"] = torch.maximum(a, b); R["minimum"] = torch.minimum(a, b); R["gt"] = (a > b) + 0.0; R["le"] = (a <= b) + 0.0
R["where"] = torch.where(a > 0, a, b); R["clamp"] = a.clamp(-0.3, 0.6)
for n in ("neg", "abs", "sign", "floor", "ceil", "round", "square", "exp", "expm1", "sin", "cos", "tan", "atan", "sinh", "cosh", "tanh", "sigmoid", "erf", "relu"):
    R[n] = getattr(torch, n)(a)
for n in ("sqrt", "rsqrt", "reciprocal", "log", "log1p"): R[n] = getattr(torch, n)(p)
for n in ("asin", "acos"): R[n] = getattr(torch, n)(u)
R["softplus"] = F.softplus(a); R["silu"] = F.silu(a); R["gelu"] = F.gelu(a); R["leaky_relu"] = F.leaky_relu(a, 0.2); R["elu"] = F.elu(a, 0.7)
R["pow_scalar"] = p ** 2.5
R["sum"] = c3.sum((0, 2)); R["mean"] = c3.mean(1); R["var"] = c3.var(2, unbiased=True); R["prod"] = c3.prod(1); R["norm"] = c3.norm(dim=2)
R["logsumexp"] = torch.logsumexp(c3, (0, 1)); R["max"] = c3.amax((0, 2)); R["min"] = c3.amin(1); R["argmax"] = c3.argmax(2) + 0.0
R["argmin"] = c3.argmin(1) + 0.0; R["cumsum"] = c3.cumsum(1); R["softmax"] = c3.softmax(1); R["log_softmax"] = c3.log_softmax(2)
R["cross_entropy"] = F.cross_entropy(a, lab); R["mse"] = F.mse_loss(a, b)
R["layer_norm"] = F.layer_norm(c3, (3, 4), inp(1, 3, 4), inp(2, 3, 4), 1e-5)
R["group_norm"] = F.group_norm(inp(1, 2, 4, 3), 2, inp(2, 4), inp(3, 4), 1e-5)
R["sort"] = c3.sort(1, descending=True)[0]; R["argsort"] = c3.argsort(2) + 0.0; R["topk"] = c3.topk(2, 2)[0]
R["concat"] = torch.cat((a, b), 1); R["stack"] = torch.stack((a, b), 1); R["gather"] = a.gather(0, idx); R["scatter_add"] = a.scatter_add(0, idx, b[:2])
R["index_select"] = a.index_select(1, torch.tensor([3, 0, 0])); R["one_hot"] = F.one_hot(lab, 5) + 0.0
R["pad_reflect"] = torch.tensor(np.pad(c3.numpy(), ((0, 0), (2, 1), (0, 0)), "reflect"))
R["pad_edge"] = torch.tensor(np.pad(c3.numpy(), ((0, 0), (2, 1), (0, 0)), "edge"))
R["pad_wrap"] = torch.tensor(np.pad(c3.numpy(), ((0, 0), (2, 1), (0, 0)), "wrap"))
R["matmul"] = c3 @ inp(1, 4, 5); R["matmul_batch"] = c3 @ inp(1, 2, 4, 2); R["einsum"] = torch.einsum("bij,bkj->kib", c3, inp(1, 2, 5, 4))
R["einsum_diag"] = torch.einsum("bii->bi", sq); R["tril"] = sq.tril(0); R["triu"] = sq.triu(1); R["diagonal"] = sq.diagonal(0, 1, 2)
R["conv1d"] = F.conv1d(inp(1, 2, 3, 9), inp(2, 4, 3, 3), inp(3, 4), stride=2, padding=1)
R["conv2d"] = F.conv2d(img, inp(2, 4, 3, 3, 2), inp(3, 4), stride=(2, 1), padding=(1, 2), dilation=(1, 2))
R["conv2d_groups"] = F.conv2d(img, inp(2, 6, 1, 3, 3), None, padding=1, groups=3)
R["conv3d"] = F.conv3d(inp(1, 1, 2, 4, 5, 4), inp(2, 3, 2, 2, 3, 3), inp(3, 3), stride=(1, 2, 1), padding=(1, 0, 1))
R["conv_transpose1d"] = F.conv_transpose1d(inp(1, 2, 3, 5), inp(2, 3, 2, 3), inp(3, 2), stride=2, padding=1, output_padding=1)
R["conv_transpose2d"] = F.conv_transpose2d(img, inp(2, 3, 4, 3, 2), inp(3, 4), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), dilation=(1, 2))
R["conv_transpose3d"] = F.conv_transpose3d(inp(1, 1, 2, 2, 3, 2), inp(2, 2, 2, 2, 3, 2), None, stride=(2, 1, 2))
R["avg_pool2d"] = F.avg_pool2d(img, 3, 2, 1); R["max_pool2d"] = F.max_pool2d(img, 3, 2, 1)
R["resize_bilinear"] = F.interpolate(img, (9, 4), mode="bilinear", align_corners=False)
R["resize_corners"] = F.interpolate(img, (9, 4), mode="bilinear", align_corners=True); R["resize_nearest"] = F.interpolate(img, (9, 4), mode="nearest")
grid = inp(1, 2, 4, 3, 2, scale=1.2)
R["grid_sample"] = F.grid_sample(img, grid, padding_mode="zeros", align_corners=False)
R["grid_sample_border"] = F.grid_sample(img, grid, padding_mode="border", align_corners=True)
z = torch.complex(c3, inp(1, 2, 3, 4))
ri = torch.view_as_real
R["fft"] = ri(torch.fft.fft(z, dim=1)); R["fftn"] = ri(torch.fft.fftn(z)); R["ifft"] = ri(torch.fft.ifft(z, dim=2)); R["rfft"] = ri(torch.fft.rfft(c3, dim=1))
R["irfft"] = torch.fft.irfft(z, 5, dim=1)
R["cholesky"] = torch.linalg.cholesky(spd); R["solve"] = torch.linalg.solve(sq, inp(1, 2, 3, 2)); R["inverse"] = torch.linalg.inv(sq); R["det"] = torch.linalg.det(sq)
R["logdet"] = torch.linalg.slogdet(sq)[1]; R["lstsq"] = torch.linalg.lstsq(tall, inp(1, 5, 2))[0]
q, r = torch.linalg.qr(tall); s = torch.sign(torch.diagonal(r)); R["qr_q"] = q * s; R["qr_r"] = r * s[:, None]
R["eigh_w"] = torch.linalg.eigvalsh((sq + sq.transpose(1, 2)) / 2); R["svd_s"] = torch.linalg.svdvals(tall)
# gradients through a little network, and a Hessian, by PyTorch's own tape
w = inp(1, 4, 3, 3, 3).requires_grad_(); x = img.clone().requires_grad_()
y = torch.tanh(F.conv2d(x, w, padding=1)).logsumexp((1, 2, 3)).pow(2).sum()
gx, gw = torch.autograd.grad(y, (x, w), create_graph=True)
R["net_gx"] = gx.detach(); R["net_gw"] = gw.detach()
h, = torch.autograd.grad((gx ** 2).sum(), w); R["net_penalty_gw"] = h
R["hessian"] = torch.autograd.functional.hessian(lambda t: (torch.sin(t) * t.flip(0)).cumsum(0).exp().sum(), inp(1, 5))
print("/* made by tests/ref/tensor_ref.py: numpy %s, PyTorch %s. SPDX-License-Identifier: MIT-0 OR Unlicense */" % (np.__version__, torch.__version__))
for name, t in R.items():
    v = t.detach().double().reshape(-1).numpy()
    vals = list(v[:12]) + [v.sum(), (v * v).sum()]
    print("REF(%s, %d, {%s})" % (name, v.size, ", ".join(repr(float(q)) for q in vals)))
