#!/usr/bin/env python3
# SPDX-License-Identifier: MIT-0 OR Unlicense
"""Tomography and learned regularizers of nrx from Python: ctypes and numpy, nothing else. Make the shared library once, from the
repository's root:

    cc -O2 -shared -fPIC -DNRX_IMPLEMENTATION -include ./nrx_ct.h -x c nrx_nets.h -o examples/python/libnrx.so -lm

Then:

    import nrx, numpy as np
    g = nrx.Geometry.parallel(128, 128, views=48, bins=183)     # or Geometry.load("scan.geom"), Geometry.fan_flat(...)
    x = nrx.phantom(g)                                          # float32 [row][column]
    y = nrx.project(g, x)                                       # float32 [view][bin]
    a = nrx.fbp(g, y)
    b = nrx.tv(g, y, weight=0.5)
    net = nrx.Network("examples/ct_weights_crr.safetensors")    # safetensors, .pt, .pth
    c = nrx.learned(g, y, net, weight=5.0)

Arrays go to the library as they are, without a copy: they must be C-contiguous and of the geometry's type (float32, or float64 with
dtype=np.float64); anything else is a TypeError, never a silent conversion. Results are written into `out` where it is given. Failures
are nrx.Error with the library's own line. `python3 nrx.py` checks itself. The library is looked for beside this file, or at $NRX_LIB.
"""
import ctypes as C
import os
import sys

import numpy as np

_path = os.environ.get("NRX_LIB", os.path.join(os.path.dirname(os.path.abspath(__file__)), "libnrx.so"))
try:
    _lib = C.CDLL(_path)
except OSError as e:
    raise ImportError(f"{e}; make the library with the line at the top of {__file__}") from None


class Error(RuntimeError):
    """What an nrx call refused, in its own words."""


_lines = []
_LOG = C.CFUNCTYPE(None, C.c_void_p, C.c_int, C.c_char_p)
_PROGRESS = C.CFUNCTYPE(C.c_int, C.c_void_p, C.c_size_t, C.c_size_t, C.c_double)
_log = _LOG(lambda user, status, line: _lines.append(line.decode("utf-8", "replace")))


class _Env(C.Structure):
    _fields_ = [("alloc", C.c_void_p), ("alloc_user", C.c_void_p), ("log", _LOG), ("log_user", C.c_void_p),
                ("parallel_for", C.c_void_p), ("parallel_user", C.c_void_p), ("progress", _PROGRESS), ("progress_user", C.c_void_p)]


class _Geometry(C.Structure):
    _fields_ = [("kind", C.c_int), ("dtype", C.c_int), ("kernel", C.c_int), ("rows", C.c_size_t), ("cols", C.c_size_t), ("slices", C.c_size_t),
                ("pixel", C.c_double), ("pixel_y", C.c_double), ("pixel_z", C.c_double),
                ("centre_x", C.c_double), ("centre_y", C.c_double), ("centre_z", C.c_double),
                ("views", C.c_size_t), ("bins", C.c_size_t), ("bin_rows", C.c_size_t), ("pitch", C.c_double), ("pitch_v", C.c_double),
                ("offset", C.c_double), ("offset_v", C.c_double), ("sod", C.c_double), ("sdd", C.c_double),
                ("start", C.c_double), ("step", C.c_double), ("angles", C.c_void_p), ("vectors", C.c_void_p), ("stride", C.c_size_t),
                ("axis_shift", C.c_double), ("tilt", C.c_double), ("roll", C.c_double), ("z_start", C.c_double), ("helix_pitch", C.c_double),
                ("mask", C.c_void_p), ("owned", C.c_void_p), ("env", _Env)]


class _Info(C.Structure):
    _fields_ = [("iterations", C.c_int), ("stop", C.c_int), ("residual", C.c_double), ("objective", C.c_double), ("gap", C.c_double),
                ("history", C.c_void_p), ("history_size", C.c_size_t)]


class _Solver(C.Structure):
    _fields_ = [("iterations", C.c_int), ("method", C.c_int), ("weight", C.c_double), ("tolerance", C.c_double), ("discrepancy", C.c_double),
                ("relaxation", C.c_double), ("box", C.c_int), ("lower", C.c_double), ("upper", C.c_double), ("warm_start", C.c_int),
                ("subsets", C.c_size_t), ("weights", C.c_void_p), ("inner", C.c_int), ("fidelity", C.c_int),
                ("photons", C.c_double), ("background", C.c_double), ("info", C.POINTER(_Info))]


class _Functional(C.Structure):
    _fields_ = [("eval", C.c_void_p), ("prox", C.c_void_p), ("user", C.c_void_p), ("n", C.c_size_t), ("dtype", C.c_int), ("convexity", C.c_int),
                ("lip", C.c_double), ("mu", C.c_double), ("rho", C.c_double)]


class _LoadDesc(C.Structure):
    _fields_ = [("weakly_convex", C.c_int), ("padding", C.c_int), ("env", _Env)]


class _FunctionalDesc(C.Structure):
    _fields_ = [("weight", C.c_double), ("scale", C.c_double), ("memory", C.c_void_p), ("memory_size", C.c_size_t), ("env", _Env)]


class _Report(C.Structure):
    _fields_ = [("convexity", C.c_int), ("rho", C.c_double), ("mu", C.c_double), ("lip", C.c_double), ("lip_gradient", C.c_double),
                ("parameters", C.c_size_t), ("node", C.c_int), ("index", C.c_size_t), ("value", C.c_double),
                ("layer", C.c_char * 64), ("text", C.c_char * 200)]


_p, _size, _double, _int, _string = C.c_void_p, C.c_size_t, C.c_double, C.c_int, C.c_char_p
for _name, _result, _arguments in (
        ("nrx_ct_parallel", _Geometry, [_size] * 4), ("nrx_ct_fan_flat", _Geometry, [_size] * 4 + [_double] * 3),
        ("nrx_ct_geometry_load", _int, [_string, _p, _p]), ("nrx_ct_geometry_free", None, [_p]), ("nrx_ct_geometry_check", _int, [_p]),
        ("nrx_ct_project", _int, [_p] * 3), ("nrx_ct_backproject", _int, [_p] * 3), ("nrx_ct_fbp", _int, [_p] * 4),
        ("nrx_ct_tv", _int, [_p] * 4), ("nrx_ct_variational", _int, [_p] * 5), ("nrx_ct_norm", _int, [_p, _int, _p, _p]),
        ("nrx_ct_phantom_textured", _int, [_p, C.c_uint64, C.c_uint64, _double, _p]), ("nrx_ct_version", _string, []),
        ("nrx_net_load", _int, [_string, _p, _p]), ("nrx_net_free", None, [_p]), ("nrx_net_certify", _int, [_p, _size, _size, _p]),
        ("nrx_net_functional", _int, [_p, _size, _size, _p, _p]), ("nrx_net_functional_free", None, [_p])):
    _f = getattr(_lib, _name)
    _f.restype, _f.argtypes = _result, _arguments


def _check(status, what):
    if status != 0:
        line = _lines[0] if _lines else f"{what}: status {status}"
        _lines.clear()
        raise Error(line)
    _lines.clear()


class Geometry:
    """A scan and its image. Fields of nrx_ct_geometry are attributes (g.pixel, g.offset, g.step, ...); angles in radians."""

    def __init__(self, struct, angles=None, dtype=np.float32):
        self.__dict__["c"] = struct
        self.c.env.log = _log
        self.c.dtype = {np.dtype(np.float32): 0, np.dtype(np.float64): 1}[np.dtype(dtype)]
        self.__dict__["_angles"] = None
        if angles is not None:
            self.__dict__["_angles"] = np.ascontiguousarray(angles, np.float64)  # kept alive with the geometry
            self.c.angles, self.c.stride, self.c.views = self._angles.ctypes.data, 1, self._angles.size
        _check(_lib.nrx_ct_geometry_check(self.ref), "geometry")

    @classmethod
    def parallel(cls, rows, cols, views, bins, angles=None, dtype=np.float32):
        return cls(_lib.nrx_ct_parallel(rows, cols, views, bins), angles, dtype)

    @classmethod
    def fan_flat(cls, rows, cols, views, bins, sod, sdd, pitch, angles=None, dtype=np.float32):
        return cls(_lib.nrx_ct_fan_flat(rows, cols, views, bins, sod, sdd, pitch), angles, dtype)

    @classmethod
    def load(cls, path, dtype=np.float32):
        struct, env = _Geometry(), _Env(log=_log)
        _check(_lib.nrx_ct_geometry_load(os.fsencode(path), C.byref(struct), C.byref(env)), "nrx_ct_geometry_load")
        return cls(struct, None, dtype)

    def __del__(self):
        if self.__dict__.get("c") is not None and self.c.owned:
            _lib.nrx_ct_geometry_free(self.ref)

    def __getattr__(self, name):
        return getattr(self.__dict__["c"], name)

    def __setattr__(self, name, value):
        if name not in dict(_Geometry._fields_):
            raise AttributeError(f"a geometry has no field '{name}'")
        setattr(self.c, name, value)

    @property
    def ref(self):
        return C.byref(self.c)

    @property
    def type(self):
        return np.float64 if self.c.dtype else np.float32

    @property
    def image_shape(self):
        return (self.c.slices, self.c.rows, self.c.cols) if self.c.slices > 1 else (self.c.rows, self.c.cols)

    @property
    def sino_shape(self):
        return (self.c.views, self.c.bin_rows, self.c.bins) if self.c.bin_rows > 1 else (self.c.views, self.c.bins)


def _array(a, shape, g, name):
    """The address of a numpy array, after a check that the library may use it as it is."""
    if not isinstance(a, np.ndarray) or a.dtype != g.type or not a.flags.c_contiguous:
        kind = f"{a.dtype}{'' if a.flags.c_contiguous else ', not contiguous'}" if isinstance(a, np.ndarray) else type(a).__name__
        raise TypeError(f"{name}: expected a C-contiguous array of {np.dtype(g.type)}, got {kind}")
    if a.shape != tuple(shape):
        raise TypeError(f"{name}: shape {a.shape}, the geometry expects {tuple(shape)}")
    return a.ctypes.data


def _out(out, shape, g):
    out = np.zeros(shape, g.type) if out is None else out
    if not (isinstance(out, np.ndarray) and out.flags.writeable):
        raise TypeError("out: not a writable array")
    return out, _array(out, shape, g, "out")


def project(g, image, out=None):
    """Line integrals [view][bin] of image [row][column]."""
    out, address = _out(out, g.sino_shape, g)
    _check(_lib.nrx_ct_project(g.ref, _array(image, g.image_shape, g, "image"), address), "nrx_ct_project")
    return out


def backproject(g, sino, out=None):
    """The exact adjoint of project."""
    out, address = _out(out, g.image_shape, g)
    _check(_lib.nrx_ct_backproject(g.ref, _array(sino, g.sino_shape, g, "sino"), address), "nrx_ct_backproject")
    return out


def fbp(g, sino, out=None):
    """Filtered back projection, Ram-Lak."""
    out, address = _out(out, g.image_shape, g)
    _check(_lib.nrx_ct_fbp(g.ref, _array(sino, g.sino_shape, g, "sino"), address, None), "nrx_ct_fbp")
    return out


def _solver(weight, iterations, tolerance, out):
    info = _Info()
    return _Solver(iterations=iterations, weight=weight, tolerance=tolerance, box=1, warm_start=out is not None, info=C.pointer(info)), info


def tv(g, sino, weight, iterations=300, tolerance=1e-5, out=None):
    """min |Ax - y|^2/2 + weight TV(x), x >= 0; `out` is the start where it is given."""
    solver, _ = _solver(weight, iterations, tolerance, out)
    out, address = _out(out, g.image_shape, g)
    _check(_lib.nrx_ct_tv(g.ref, _array(sino, g.sino_shape, g, "sino"), address, C.byref(solver)), "nrx_ct_tv")
    return out


class Network:
    """A learned regularizer from a file. `certificate` is the library's verdict on its convexity."""

    def __init__(self, path):
        self._net = C.c_void_p()
        desc, report = _LoadDesc(env=_Env(log=_log)), _Report()
        _check(_lib.nrx_net_load(os.fsencode(path), C.byref(desc), C.byref(self._net)), "nrx_net_load")
        _check(_lib.nrx_net_certify(self._net, 64, 64, C.byref(report)), "nrx_net_certify")
        self.certificate, self.convex, self.parameters = report.text.decode(), report.convexity == 1, report.parameters

    def __del__(self):
        if getattr(self, "_net", None):
            _lib.nrx_net_free(self._net)


def learned(g, sino, net, weight, scale=1.0, iterations=300, tolerance=1e-5, out=None):
    """min |Ax - y|^2/2 + weight/scale^2 R(scale x), x >= 0, float32; scale brings the image to the grey values (0 to 1) of the training."""
    if g.type is not np.float32:
        raise TypeError("learned: networks are float32, make the geometry with dtype=np.float32")
    solver, _ = _solver(1.0, iterations, tolerance, out)
    out, address = _out(out, g.image_shape, g)
    y = _array(sino, g.sino_shape, g, "sino")
    desc, r = _FunctionalDesc(weight=weight, scale=scale, env=_Env(log=_log)), _Functional()
    _check(_lib.nrx_net_functional(net._net, g.rows, g.cols, C.byref(desc), C.byref(r)), "nrx_net_functional")
    try:
        _check(_lib.nrx_ct_variational(g.ref, y, C.byref(r), address, C.byref(solver)), "nrx_ct_variational")
    finally:
        _lib.nrx_net_functional_free(C.byref(r))
    return out


def norm2(g):
    """An upper bound of the squared norm of the projector, the natural unit of `weight`."""
    upper = C.c_double()
    _check(_lib.nrx_ct_norm(g.ref, 5, None, C.byref(upper)), "nrx_ct_norm")
    return upper.value ** 2


def phantom(g, seed=1, index=0, texture=0.05, out=None):
    """A shaded, textured phantom with values in 0 .. 1."""
    out, address = _out(out, g.image_shape, g)
    _check(_lib.nrx_ct_phantom_textured(g.ref, seed, index, texture, address), "nrx_ct_phantom_textured")
    return out


def psnr(a, reference):
    d = a.astype(np.float64) - reference
    return float(10 * np.log10((reference.max() - reference.min()) ** 2 / (d * d).mean()))


def self_check():
    def refused(error, text, f, *arguments, **named):
        try:
            f(*arguments, **named)
        except error as e:
            assert text in str(e), f"expected '{text}' in: {e}"
            return
        raise AssertionError(f"not refused: {text}")

    rng = np.random.default_rng(1)
    for dtype, tolerance in ((np.float32, 1e-5), (np.float64, 1e-12)):  # <Ax, y> = <x, A^T y>
        g = Geometry.parallel(48, 40, 30, 67, dtype=dtype)
        x, y = rng.standard_normal(g.image_shape).astype(dtype), rng.standard_normal(g.sino_shape).astype(dtype)
        a, b = float(np.vdot(project(g, x), y)), float(np.vdot(x, backproject(g, y)))
        assert abs(a - b) <= tolerance * np.linalg.norm(x) * np.linalg.norm(y) * 10, (a, b)

    g = Geometry.parallel(128, 128, 180, 183)  # a disc: its line integrals by numpy alone, FBP gives its value back
    rows, cols = np.mgrid[0:128, 0:128]
    inside = (rows - 63.5) ** 2 + (cols - 63.5) ** 2
    s = np.arange(183) - 91.0
    exact = np.repeat(2 * np.sqrt(np.maximum(40.0 ** 2 - s * s, 0))[None], 180, 0).astype(np.float32)
    level = fbp(g, exact)[inside < 30 ** 2].mean()
    assert abs(level - 1) < 2e-3, level

    g = Geometry.parallel(64, 64, 24, 91)
    x = phantom(g, seed=99)
    y = project(g, x)
    y += (0.03 * np.abs(y).mean() * rng.standard_normal(y.shape)).astype(np.float32)
    out = np.zeros((3, 64, 64), np.float32)
    result = fbp(g, y, out=out[1])  # written in place, into the middle of another array
    assert result.base is out and out[1].any() and not out[0].any() and not out[2].any()
    unit = norm2(g)
    score = {"FBP": psnr(result, x), "TV": psnr(tv(g, y, 2.0 ** -9 * unit), x)}
    weights = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "ct_weights_crr.safetensors")
    net = Network(weights)
    assert net.convex, net.certificate
    score["CRR"] = psnr(learned(g, y, net, 2.0 ** -5 * unit), x)
    assert score["FBP"] < score["TV"] and score["FBP"] < score["CRR"], score

    refused(TypeError, "float64", project, g, x.astype(np.float64))
    refused(TypeError, "not contiguous", project, g, x[:, ::-1])
    refused(TypeError, "shape (63, 64)", project, g, np.ascontiguousarray(x[:63]))
    refused(Error, "missing.safetensors", Network, "missing.safetensors")
    refused(Error, "missing.geom", Geometry.load, "missing.geom")
    refused(Error, "views", Geometry.parallel, 64, 64, 0, 91)
    refused(AttributeError, "pixels", setattr, g, "pixels", 2)
    print("nrx", _lib.nrx_ct_version().decode(), "ok:", ", ".join(f"{k} {v:.2f} dB" for k, v in score.items()) + ";", net.certificate)


if __name__ == "__main__":
    self_check()
    sys.exit(0)
