"""log Z of an implicit mixture from annealing each component by itself."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from harmonium.likelihood.ais import ais
from harmonium.likelihood.annealing import Estimate, estimate
from harmonium.models import MixtureOfRBMs
from harmonium.seeds import derive


def ais_of_components(
    mixture: MixtureOfRBMs,
    *,
    chains: int = 100,
    betas: int | Sequence[float] = 14500,
    seed: int = 0,
    base_rates: Tensor | None = None,
    progress: bool = False,
) -> Estimate:
    """Estimate log Z of a mixture of RBMs by annealed importance sampling of each component.

    A chain of `ais` of the whole mixture has to choose its component on the way. Here no chain has to, so no component is missed.

    Parameters
    ----------
    mixture : MixtureOfRBMs
        The mixture.
    chains : int, default 100
        Number of independent chains of each component.
    betas, base_rates, progress
        As for `ais`.
    seed : int, default 0
        Seed of the draws. Those of the components are independent.

    Returns
    -------
    Estimate
        log Z in nats, its standard error, the effective sample size and the log-weights. A weight is the sum over the components.

    Raises
    ------
    TypeError
        For another model, and for visible units that have no bias each.
    ValueError
        As for `ais`.

    Notes
    -----
    Z = Σ_k exp(offset_k) Z_k (see `MixtureOfRBMs.offsets`). Each Z_k is the mean of its component's weights, so Z is that of their sums.
    Where one layer of a component can be enumerated, `exact_log_z` of the mixture is exact.

    Examples
    --------
    >>> import harmonium as hm
    >>> mixture = hm.MixtureOfRBMs(6, 4, components=3)
    >>> found = hm.likelihood.ais_of_components(mixture, betas=20)
    >>> abs(found.log_z - hm.likelihood.exact_log_z(mixture)) < 0.1
    True
    """
    if not isinstance(mixture, MixtureOfRBMs):
        raise TypeError(f"ais_of_components takes a mixture of RBMs, found {type(mixture).__name__}; hm.likelihood.ais takes any RBM")
    terms = []
    for number, (component, offset) in enumerate(zip(mixture.components, mixture.offsets().tolist(), strict=True)):
        own = ais(component, chains=chains, betas=betas, seed=derive(seed, number), base_rates=base_rates, progress=progress)
        base = own.log_z - estimate(own.log_weights, 0.0).log_z
        terms.append(own.log_weights + (base + offset))
    return estimate(torch.stack(terms).logsumexp(0), 0.0)
