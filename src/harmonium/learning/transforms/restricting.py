"""A bound on the gradient of each hidden unit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from harmonium.couplings import Dense
from harmonium.learning.rules.rule import Positive, Slots
from harmonium.learning.transforms.transform import Transform
from harmonium.models import RBM
from harmonium.units.checks import as_number


@dataclass(frozen=True)
class RestrictedGradient(Transform):
    """Shortens the gradient of each hidden unit's weights to a largest norm, and cuts that of other parameters (Melchior et al. 2017).

    A few cases far from the mean, such as patches of strong contrast, then cannot throw a Gaussian machine off, and learning takes a rate
    that is many times as high. Give it to `fit` as one of its `transforms`, with `standardise=False` if the bound is to hold for the steps.

    Parameters
    ----------
    bound : float
        The largest norm of the gradient of the weights into one hidden unit, and the largest absolute value of each other gradient; above
        0.

    Raises
    ------
    ValueError
        For another bound.
    TypeError
        When learning starts: for a deep Boltzmann machine, and for a coupling that is not dense.

    Notes
    -----
    g_j ← g_j · min(1, bound / ‖g_j‖), with g_j column j of the gradient of a dense coupling's weights. Each other gradient is cut at
    ± bound. Where the bound takes effect, learning no longer follows the mean gradient: of data with heavy tails a learnt variance comes to
    rest below that of greatest likelihood, and the hidden units account for more. See Melchior, Wang & Wiskott (2017),
    doi:10.1371/journal.pone.0171015, who restrict the weights alone.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Gaussian(6), hm.Bernoulli(4))
    >>> rows = torch.randn(100, 6, generator=torch.Generator().manual_seed(0))
    >>> state = hm.fit(rbm, rows, transforms=[hm.learning.RestrictedGradient(0.3)], standardise=False, epochs=2, progress=False)
    >>> len(state.history)
    2
    """

    bound: float

    def __post_init__(self) -> None:
        if not 0 < as_number(self.bound) < math.inf:
            raise ValueError(f"the bound of a restricted gradient is a number above 0, found {self.bound!r}")

    def init(self, model: RBM, steps: int) -> Slots:
        coupling = getattr(model, "coupling", model)
        if not isinstance(coupling, Dense):
            raise TypeError(
                "a restricted gradient bounds the weights into each hidden unit of an RBM with a dense coupling, found "
                f"{type(coupling).__name__}: leave the transform out, or learn the layers one at a time"
            )
        return {}

    @torch.no_grad()
    def gradient(self, model: RBM, positive: Positive, slots: Slots) -> None:
        weight = model.coupling.get_parameter("weight")
        for parameter in model.parameters():
            if parameter.grad is None:
                continue
            if parameter is weight:
                norms = parameter.grad.norm(dim=0, keepdim=True)
                parameter.grad.mul_((self.bound / norms).clamp_(max=1.0))
            else:
                parameter.grad.clamp_(-self.bound, self.bound)
