#!/usr/bin/python3
# SPDX-License-Identifier: MIT-0 OR Unlicense
"""Reference numbers for tests/unit/dynsys_solve.c: states of ten problems at a quarter, half, three quarters and all of their time (SciPy DOP853
at 1e-13), and the largest errors of four separate runs to these times with SciPy's RK45, DOP853 and Radau at tolerances 1e-4 .. 1e-10
(rtol = atol). Prints the C tables that the test includes."""
import numpy as np, sys, scipy
from scipy.integrate import solve_ivp
P = {
 'Lorenz63': (lambda t, y: [10*(y[1]-y[0]), y[0]*(28-y[2])-y[1], y[0]*y[1]-8/3*y[2]], [-8, 8, 27], 2),
 'Rossler': (lambda t, y: [-y[1]-y[2], y[0]+.2*y[1], .2+y[2]*(y[0]-5.7)], [6.51344, .477201, .341643], 20),
 'HarmonicOscillator': (lambda t, y: [y[1], -y[0]], [1, 0], 20),
 'LotkaVolterra': (lambda t, y: [y[0]*(1-y[1]), y[1]*(y[0]-1)], [2, 1], 10),
 'VanDerPol': (lambda t, y: [y[1], (1-y[0]**2)*y[1]-y[0]], [2, 0], 10),
 'Pendulum': (lambda t, y: [y[1], -np.sin(y[0])], [2, 0], 20),
 'HenonHeiles': (lambda t, y: [y[2], y[3], -y[0]-2*y[0]*y[1], -y[1]-y[0]**2+y[1]**2], [-.297073, -.00313675, .425489, .0719055], 20),
 'RigidBody': (lambda t, y: [(2-3)/6*y[1]*y[2], (3-1)/3*y[2]*y[0], (1-2)/2*y[0]*y[1]], [1, .3, .5], 20),
 'Kepler': (lambda t, y: [y[2], y[3], -y[0]/np.hypot(y[0], y[1])**3, -y[1]/np.hypot(y[0], y[1])**3], [.4, 0, 0, 2], 12),
 'Brusselator': (lambda t, y: [1+y[0]**2*y[1]-4*y[0], 3*y[0]-y[0]**2*y[1]], [1.5, 3], 10)}
print('/* made by tests/ref/dynsys_scipy.py with SciPy %s */' % scipy.__version__)
print('static const struct { const char *name; double t; size_t n; double end[4][4]; double error[3][7]; } reference[] = {')
for name, (f, y0, T) in P.items():
    run = lambda m, r, a, q: solve_ivp(f, (0, T*q/4), y0, method=m, rtol=r, atol=a).y[:, -1]
    ref = [run('DOP853', 1e-13, 1e-14, q) for q in (1, 2, 3, 4)]
    e = [[max(np.max(np.abs(run(m, 10.0**-k, 10.0**-k, q)-ref[q-1])) for q in (1, 2, 3, 4)) for k in range(4, 11)] for m in ('RK45', 'DOP853', 'Radau')]
    print('    {"%s", %g, %d, {%s},' % (name, T, len(y0), ', '.join('{' + ', '.join('%.15g' % v for v in r) + '}' for r in ref)))
    print('     {' + ',\n      '.join('{' + ', '.join('%.2e' % v for v in r) + '}' for r in e) + '}},')
print('};')
