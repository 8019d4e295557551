#!/usr/bin/env python3
"""SPDX-License-Identifier: MIT-0 OR Unlicense
Prints, with PyTorch in double precision, the reference numbers stored in tests/unit/nets_files.c: a whole ICNN and IWCNN whose
weights follow a formula (values, input gradients, parameter gradients, gradient of the penalty), and the published ridge and
ICNN regularizers on the 6 x 7 test image. Run it with any PyTorch from 1.13 on."""
import io
import math
import os
import re
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def formula(k, shape, scale, positive):
    n = math.prod(shape)
    i = torch.arange(n)
    v = (((i * 7 + k * 3) % 16).double() - 7.5) * scale / 8
    v = v.abs() if positive else v
    return v.float().double().reshape(shape).requires_grad_()  # the header stores f32


def whole(smooth):
    """Three layers of four channels, 3 x 3; parameters in the order of nrx_net_params."""
    shapes, k = [], 0
    c_in = 1
    if smooth:
        shapes += [("smooth.weight", (3, 1, 3, 3)), ("smooth.bias", (3,))]
        c_in = 3
    shapes += [("wx0.weight", (4, c_in, 3, 3)), ("wx0.bias", (4,))]
    for l in (1, 2):
        shapes += [(f"wx{l}.weight", (4, c_in, 3, 3)), (f"wx{l}.bias", (4,)), (f"wz{l}.weight", (4, 4, 3, 3))]
    shapes += [("final.weight", (1, 4, 3, 3))]
    p = {}
    for k, (name, shape) in enumerate(shapes):
        pos = "wz" in name or "final" in name
        scale = 0.1 if "bias" in name else 0.05 if "wz" in name else 0.1 if pos else 0.3 if smooth and k == 0 else 0.2
        p[name] = formula(k, shape, scale, pos)
    x = ((torch.arange(144) * 5 % 11).double() / 11).float().double().reshape(2, 1, 9, 8).requires_grad_()

    def net(x):
        s = F.silu(F.conv2d(x, p["smooth.weight"], p["smooth.bias"], padding=1)) if smooth else x
        z = F.leaky_relu(F.conv2d(s, p["wx0.weight"], p["wx0.bias"], padding=1), 0.2)
        for l in (1, 2):
            a = F.conv2d(z, p[f"wz{l}.weight"], padding=1)
            z = F.leaky_relu(a + F.conv2d(s, p[f"wx{l}.weight"], p[f"wx{l}.bias"], padding=1), 0.2)
        return F.conv2d(z, p["final.weight"], padding=1).mean(dim=(1, 2, 3))

    def sums(grads):
        s = a = 0.0
        for g in grads:
            if g is None:
                continue
            g = g.flatten()
            s += (g * torch.cos(torch.arange(g.numel()).double())).sum().item()
            a += g.abs().sum().item()
        return [s, a]

    y = net(x)
    g, = torch.autograd.grad(y.sum(), x, create_graph=True)
    linear = sums(torch.autograd.grad(y.sum(), list(p.values()), retain_graph=True))
    penalty = ((g.flatten(1).norm(dim=1) - 1) ** 2).mean()
    second = sums(torch.autograd.grad(penalty, list(p.values()), allow_unused=True))
    flat = g.detach().flatten()
    print("IWCNN" if smooth else "ICNN")
    print("  y      ", [v.item() for v in y])
    print("  grad   ", [flat[i].item() for i in (0, 37, 143)])
    print("  linear ", linear)
    print("  penalty", [penalty.item()] + second)


def sample(name):
    """One of the small files of tests/nets_samples.h, read by PyTorch itself."""
    text = open(os.path.join(os.path.dirname(__file__), "..", "nets_samples.h")).read()
    body = re.search(name + r"\[\d+\] = \{(.*?)\};", text, re.S).group(1)
    return torch.load(io.BytesIO(bytes(int(t) for t in body.replace("\n", "").split(",") if t.strip())))


def show(name, f):
    x = ((torch.arange(42) * 5 % 9).float() / 9).double().reshape(1, 1, 6, 7).requires_grad_()
    v = f(x)
    g, = torch.autograd.grad(v, x)
    g = g.flatten()
    print(name, v.item(), [g[i].item() for i in (0, 10, 41)])


def ridge(rho):
    """WCRR of arXiv 2510.01755: filters of unit norm (256 x 256 grid), e^{-2s} (e^{-b} h(e^b e^s t) - rho h(e^s t))."""
    d = {k.replace("regularizer.", ""): v.double() for k, v in sample("sample_crr_zip").items()}
    w = [d["filters.0.parametrizations.weight.original"], d["filters.1.weight"], d["filters.2.weight"]]
    w[0] = w[0] - w[0].mean(dim=(2, 3), keepdim=True)
    pad = [k.shape[-1] // 2 for k in w]

    def chain(x):
        for k, q in zip(w, pad):
            x = F.conv2d(x, k, padding=q)
        return x
    delta = torch.zeros(1, 1, 64, 64)
    delta[0, 0, 32, 32] = 1
    spectrum = torch.fft.fft2(F.pad(chain(delta), (0, 192, 0, 192))).abs().pow(2).sum(dim=1)
    norm = spectrum.max().sqrt()
    s, b = d["scaling"].reshape(1, -1, 1, 1), d["beta"].reshape(())
    huber = lambda t: torch.where(t.abs() <= 1, t * t / 2, t.abs() - 0.5)
    weight, scale = d["alpha"].exp().item(), d["scale"].exp().item()

    def f(x):
        t = chain(x * scale) / norm * torch.exp(s)
        return weight / scale ** 2 * ((huber(torch.exp(b) * t) * torch.exp(-b) - rho * huber(t)) * torch.exp(-2 * s)).sum()
    return f


def icnn2():
    d = {k.replace("icnn.", ""): v.double() for k, v in sample("sample_icnn_legacy")["state_dict"].items()}
    wx = d["wx.parametrizations.weight.original"]
    wx = wx - wx.mean(dim=(2, 3), keepdim=True)
    eps = d["smoothing"].exp().reshape(())
    act = lambda t: torch.where(t <= 0, 0 * t, torch.where(t < eps, t * t / (2 * eps), t - eps / 2))

    def f(x):
        z = act(F.conv2d(x, wx, d["wx.bias"], padding=wx.shape[-1] // 2))
        z = act(F.conv2d(z, d["wz.weight"], d["wz.bias"], padding=d["wz.weight"].shape[-1] // 2))
        return (z * d["scaling"].exp().reshape(1, -1, 1, 1)).sum()
    return f


whole(False)
whole(True)
show("CRR ", ridge(0.0))
show("WCRR", ridge(1.0))
show("ICNN of the study", icnn2())


def lar():
    """The local critic: valid 3 x 3 convolutions with SiLU, mean over the image continued by the reach of a patch."""
    torch.set_default_dtype(torch.float32)
    net = torch.nn.Sequential()
    widths = [1, 2, 3, 2, 2, 2, 2, 1]
    for k in range(7):
        net.add_module(str(2 * k), torch.nn.Conv2d(widths[k], widths[k + 1], 3))
    with torch.no_grad():
        for k in range(7):
            for j, q in enumerate((net[k].weight, net[k].bias)):
                q.copy_(((((torch.arange(q.numel()) * 7 + (2 * k + j) * 3) % 16).float() - 7.5) / 5).reshape(q.shape))
    torch.set_default_dtype(torch.float64)
    net = net.double()

    def f(x):
        x = F.pad(x, (14, 14, 14, 14), mode="replicate")
        for k in range(7):
            x = net[k](x)
            x = F.silu(x) if k < 6 else x
        return x.mean()
    return f


show("LAR ", lar())


def numbers(shapes):
    """Tensors filled by the formula of the test, in the order of its list."""
    d = {}
    for k, (name, shape) in enumerate(shapes):
        i = torch.arange(math.prod(shape))
        d[name] = ((((i * 7 + k * 3) % 16).float() - 7.5) / 32).double().reshape(shape)
    return d


def wide(name, f):
    x = ((torch.arange(96) * 5 % 9).float() / 9).double().reshape(1, 1, 8, 12).requires_grad_()
    v = f(x)
    g, = torch.autograd.grad(v, x)
    g = g.flatten()
    print(name, v.item(), [g[i].item() for i in (0, 10, 41, 95)])


def tdv(features, blocks, scales):
    """Total deep variation as in the study: half the sum of squares over the number of features."""
    shapes = [("K1.weight", (features, 1, 3, 3))]
    c = (features, features, 3, 3)
    for b in range(blocks):
        for s in range(scales):
            for m in range(2 if s + 1 < scales else 1):
                shapes += [(f"mb.{b}.mb.{s}.{m}.conv{i}.weight", c) for i in (1, 2)]
        for s in range(scales - 1):
            for way in ("down", "up"):
                shapes += [(f"mb.{b}.conv_{way}.{s}.weight", c), (f"mb.{b}.conv_{way}.{s}.blur", (1, 1, 5, 5))]
    d = numbers(shapes + [("KN.weight", (1, features, 1, 1))])
    k1 = d["K1.weight"] - d["K1.weight"].mean(dim=(1, 2, 3), keepdim=True)
    k1 = k1 / k1.square().sum(dim=(1, 2, 3), keepdim=True).sqrt().clamp(min=1)

    def micro(x, b, s, m):
        a = F.softplus(F.conv2d(x, d[f"mb.{b}.mb.{s}.{m}.conv1.weight"], padding=1)) - math.log(2)
        return x + F.conv2d(a, d[f"mb.{b}.mb.{s}.{m}.conv2.weight"], padding=1)

    def smooth(b, way, s):
        w = d[f"mb.{b}.conv_{way}.{s}.weight"]
        return F.conv2d(w.reshape(-1, 1, 3, 3), d[f"mb.{b}.conv_{way}.{s}.blur"], padding=4).reshape(*w.shape[:2], 7, 7)

    def f(x):
        level = [F.conv2d(x, k1, padding=1)] + [0.0] * (scales - 1)
        for b in range(blocks):
            for s in range(scales):
                level[s] = micro(level[s], b, s, 0)
                if s + 1 < scales:
                    level[s + 1] = level[s + 1] + F.conv2d(level[s], smooth(b, "down", s), stride=2, padding=3)
            for s in reversed(range(scales - 1)):
                up = F.conv_transpose2d(level[s + 1], smooth(b, "up", s), stride=2, padding=3, output_padding=1)
                level[s] = micro(level[s] + up, b, s, 1)
        return F.conv2d(level[0], d["KN.weight"]).square().sum() / (2 * features)
    return f


def nett(features, blocks):
    shapes, inputs = [], 1
    for k in range(1, blocks + 1):
        for half in (0, 2):
            shapes += [(f"b{k}.{half}.weight", (features, inputs, 3, 3)), (f"b{k}.{half}.bias", (features,))]
            inputs = features
    d = numbers(shapes + [("final.weight", (1, features, 1, 1)), ("final.bias", (1,))])

    def f(x):
        for k in range(1, blocks + 1):
            for half in (0, 2):
                x = F.celu(F.conv2d(x, d[f"b{k}.{half}.weight"], d[f"b{k}.{half}.bias"], padding=1), 10)
        return F.conv2d(x, d["final.weight"], d["final.bias"]).square().sum()
    return f


torch.set_default_dtype(torch.float64)
wide("TDV ", tdv(2, 2, 3))
wide("NETT", nett(3, 2))
