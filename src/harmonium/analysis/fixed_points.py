"""Fixed points of learning rules on enumerated RBMs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from harmonium.analysis.enumerated_rbms import EnumeratedRBMs

LONGEST = 1.0  # step of a parameter
SLOWEST = 1e12  # time that a step takes
UNSTABLE = 1e-7  # real part of an eigenvalue, above which a fixed point is unstable


class FixedPoint(NamedTuple):
    """Where learning ends: parameters, the largest update left, the largest real part of the derivative's eigenvalues: (machines, ...)."""

    theta: Tensor
    residual: Tensor
    growth: Tensor


def find_fixed_point(
    machines: EnumeratedRBMs, theta: Tensor, p: Tensor, steps: int | None, *, tolerance: float = 1e-9, most: int = 1500
) -> FixedPoint:
    """Follows dθ/dt = update(θ) to where it rests, by implicit Euler steps (1/dt - J)⁻¹ update that grow long as the update shrinks.

    Long steps are Newton's and would also rest on saddles; so a step takes at most half the time in which the fastest growing direction
    grows e-fold, and moves no parameter by more than one. Where the optimum has infinite weights it is followed until the update
    is below `tolerance`.
    """
    theta, rows = theta.clone(), torch.arange(len(theta))
    residual, growth, time = theta[:, 0].clone(), theta[:, 0].clone(), torch.ones_like(theta[:, 0])
    eye = torch.eye(machines.size, dtype=theta.dtype)
    for turn in range(most + 1):
        signal = machines.mean_update(theta[rows], p[rows], steps)
        size = signal.update.abs().amax(1)
        fastest = torch.linalg.eigvals(signal.jacobian).real.amax(1)
        residual[rows], growth[rows] = size, fastest
        moving = (size > tolerance) | (fastest > UNSTABLE)
        if turn == most or not bool(moving.any()):
            break
        rows, jacobian = rows[moving], signal.jacobian[moving]
        time[rows] = torch.minimum(time[rows], 0.5 / fastest[moving].clamp_min(0.5 / SLOWEST))
        step = torch.linalg.solve(eye / time[rows, None, None] - jacobian, signal.update[moving])
        excess = step.abs().amax(1) / LONGEST
        theta[rows] += step / excess.clamp_min(1.0)[:, None]
        time[rows] *= torch.where(excess > 1, 0.5, 3.0)
    return FixedPoint(theta, residual, growth)


def asymmetry(jacobian: Tensor) -> Tensor:
    """|J - J'| / |J| in the Frobenius norm, zero for the derivative of a gradient: (machines, n, n) -> (machines)."""
    odd, whole = (torch.linalg.matrix_norm(each) for each in (jacobian - jacobian.mT, jacobian))
    share: Tensor = odd / whole
    return share


def minimise_contrast(machines: EnumeratedRBMs, theta: Tensor, p: Tensor) -> Tensor:
    """Where quasi-Newton descent of the contrast of CD-1, with the machines' weight cost, ends from theta: the same shape.

    It descends the whole gradient, the term that CD neglects included, so that its end is a least value of the objective that CD-1 follows.
    """
    from scipy.optimize import minimize  # here, so that importing the package does not wait for SciPy

    def objective(x: np.ndarray[Any, Any], q: Tensor) -> tuple[float, np.ndarray[Any, Any]]:
        here = torch.from_numpy(x)[None]
        followed, neglected = machines.neglected(here, q[None], 1)
        value = machines.contrast(here, q[None], 1)[0] + 0.5 * (machines.cost * here.square()).sum()
        return value.item(), (followed + neglected)[0].numpy()

    options = {"maxiter": 1000, "maxfun": 2000}
    ends = [
        minimize(objective, start.numpy(), args=(q,), jac=True, method="L-BFGS-B", options=options).x
        for start, q in zip(theta, p, strict=True)
    ]
    return torch.from_numpy(np.stack(ends))
