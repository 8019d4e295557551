#!/usr/bin/python3
# SPDX-License-Identifier: MIT-0 OR Unlicense
"""Reference numbers for HAVOK, by numpy's QR and SVD of the Hankel matrix and least squares on central differences of order 4.
Without an argument: the magnitudes of A and B for a sum of six cosines, as tests/unit/dynsys_features.c includes them.
With a file name: the 200 000 values of x of Lorenz-63 (SciPy DOP853 at 1e-12, dt = 0.001 from (-8, 8, 27)) are written there as
doubles, for tests/long/dynsys_havok.c. The coefficients belong to this very orbit: by chaos, other integrators follow other orbits
after t = 40, and their coefficients differ by 2 to 4 %."""
import numpy as np, sys

def havok(x, dt, q, r):
    H = np.lib.stride_tricks.sliding_window_view(x, q)
    s, Vt = np.linalg.svd(np.linalg.qr(H, mode='r'))[1:]
    v = H @ Vt[:r].T / s[:r]
    dv = (-v[4:] + 8 * v[3:-1] - 8 * v[1:-3] + v[:-4]) / (12 * dt)
    return np.linalg.lstsq(v[2:-2], dv[:, :r - 1], rcond=None)[0].T, s

if len(sys.argv) > 1:
    from scipy.integrate import solve_ivp
    t = 0.001 * np.arange(200000)
    f = lambda t, y: [10 * (y[1] - y[0]), y[0] * (28 - y[2]) - y[1], y[0] * y[1] - 8 / 3 * y[2]]
    x = solve_ivp(f, (0, t[-1]), [-8, 8, 27], method='DOP853', t_eval=t, rtol=1e-12, atol=1e-12).y[0]
    x.tofile(sys.argv[1])
    c, s = havok(x, 0.001, 100, 15)
    print('super-diagonal', ' '.join('%.3f' % abs(c[i, i + 1]) for i in range(13)), ' B', '%.2f' % abs(c[13, 14]))
else:
    t = 0.01 * np.arange(4000)
    x = sum(np.cos(w * t + w) / w for w in (1, 2.3, 3.7, 5.1, 6.9, 8.3))
    c, s = havok(x, 0.01, 60, 7)
    print('/* made by tests/ref/dynsys_havok.py with numpy %s */' % np.__version__)
    print('static const double havok_s[7] = {' + ', '.join('%.15g' % v for v in s[:7]) + '};')
    print('static const double havok_ab[6][7] = {\n    ' + ',\n    '.join('{' + ', '.join('%.12g' % abs(v) for v in row) + '}' for row in c) + '};')
