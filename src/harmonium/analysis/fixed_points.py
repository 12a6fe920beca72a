"""Fixed points of learning rules on RBMs with enumerated states."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from harmonium.analysis.enumerated_rbms import EnumeratedRBMs

LONGEST = 1.0  # the largest change of a parameter in one step
SLOWEST = 1e12  # the longest time of one step
UNSTABLE = 1e-7  # real part of an eigenvalue, above which a fixed point is unstable


class FixedPoint(NamedTuple):
    """Where learning ends.

    Attributes
    ----------
    theta : Tensor
        (machines, parameters), the parameters.
    residual : Tensor
        (machines,), the largest absolute component of the update that is left.
    growth : Tensor
        (machines,), the largest real part of the eigenvalues of the update's derivative. It is negative at a stable fixed point.

    Examples
    --------
    >>> import torch
    >>> from harmonium.analysis import EnumeratedRBMs, find_fixed_point
    >>> machines = EnumeratedRBMs(visible=2, hidden=1, weight_cost=0.01)
    >>> theta = machines.draw(2, 0.5, torch.Generator().manual_seed(0))
    >>> p = torch.tensor([0.4, 0.1, 0.1, 0.4], dtype=torch.float64).expand(2, -1)
    >>> found = find_fixed_point(machines, theta, p, steps=1)
    >>> bool((found.residual < 1e-9).all()), bool((found.growth < 0).all())
    (True, True)
    """

    theta: Tensor
    residual: Tensor
    growth: Tensor


def find_fixed_point(
    machines: EnumeratedRBMs, theta: Tensor, p: Tensor, steps: int | None, *, tolerance: float = 1e-9, most: int = 1500
) -> FixedPoint:
    """Follows the mean update of a learning rule to its fixed point.

    The flow is dθ/dt = update(θ). Each implicit Euler step is (1/dt - J)⁻¹ update. The steps grow as the update shrinks. Long steps are
    Newton steps, which would also stop at saddle points. So a step takes at most half the time in which the fastest growing direction grows
    by a factor e, and it moves no parameter by more than one. If the optimum has infinite weights, the flow is followed until the update is
    below `tolerance`.

    Parameters
    ----------
    machines : EnumeratedRBMs
        The size of the machines, and their weight cost.
    theta : Tensor
        (machines, parameters), where the flow begins. It is not changed.
    p : Tensor
        (machines, visible states), the data distribution of each machine.
    steps : int or None
        k of CD-k. None means maximum likelihood.
    tolerance : float, default 1e-9
        A machine has arrived when no component of its update is larger and the point is stable.
    most : int, default 1500
        Largest number of steps.

    Returns
    -------
    FixedPoint
        The end of each flow. Its `residual` is above `tolerance` where `most` steps did not suffice.

    Examples
    --------
    Maximum likelihood reproduces data that the machine can represent:

    >>> import torch
    >>> from harmonium.analysis import EnumeratedRBMs, find_fixed_point
    >>> machines = EnumeratedRBMs(visible=2, hidden=1)
    >>> theta = machines.draw(1, 0.5, torch.Generator().manual_seed(0))
    >>> p = torch.tensor([[0.4, 0.1, 0.1, 0.4]], dtype=torch.float64)
    >>> found = find_fixed_point(machines, theta, p, steps=None)
    >>> bool(machines.kl(found.theta, p) < 1e-9)
    True
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
    """The asymmetry of a Jacobian, |J - J'| / |J| in the Frobenius norm.

    It is zero for the derivative of a gradient. So a rule with a positive asymmetry follows the gradient of no function.

    Parameters
    ----------
    jacobian : Tensor
        (machines, n, n).

    Returns
    -------
    Tensor
        (machines,).

    Examples
    --------
    >>> import torch
    >>> from harmonium.analysis import asymmetry
    >>> bool(asymmetry(torch.tensor([[2.0, 1.0], [1.0, 3.0]])) == 0)
    True
    >>> round(asymmetry(torch.tensor([[0.0, 1.0], [-1.0, 0.0]])).item(), 3)
    2.0
    """
    odd, whole = (torch.linalg.matrix_norm(each) for each in (jacobian - jacobian.mT, jacobian))
    share: Tensor = odd / whole
    return share


def minimise_contrast(machines: EnumeratedRBMs, theta: Tensor, p: Tensor) -> Tensor:
    """Minimises the contrast of CD-1, with the machines' weight cost, by L-BFGS.

    It follows the full gradient, including the term that CD neglects. So it ends at a local minimum of the objective that CD-1
    approximates.

    Parameters
    ----------
    machines : EnumeratedRBMs
        The size of the machines, and their weight cost.
    theta : Tensor
        (machines, parameters), where the search begins.
    p : Tensor
        (machines, visible states), the data distribution of each machine.

    Returns
    -------
    Tensor
        (machines, parameters), where the search ends.

    See Also
    --------
    EnumeratedRBMs.contrast : the objective.
    EnumeratedRBMs.neglected : the two terms of its gradient.

    Examples
    --------
    >>> import torch
    >>> from harmonium.analysis import EnumeratedRBMs, minimise_contrast
    >>> machines = EnumeratedRBMs(visible=2, hidden=1, weight_cost=0.1)
    >>> theta = machines.draw(1, 0.5, torch.Generator().manual_seed(0))
    >>> p = torch.tensor([[0.4, 0.1, 0.1, 0.4]], dtype=torch.float64)
    >>> found = minimise_contrast(machines, theta, p)
    >>> bool(machines.contrast(found, p, 1) < machines.contrast(theta, p, 1))
    True
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
