"""The couplings between neighbouring layers of a stack."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from harmonium.couplings.coupling import Coupling
from harmonium.couplings.dense import Dense
from harmonium.units import Unit


def between(layers: Sequence[Unit], couplings: Sequence[Coupling | None] | None, seed: int) -> list[Coupling]:
    """One coupling between each pair of neighbouring layers, from the bottom; the lower layer is the visible side.

    Parameters
    ----------
    layers : sequence of Unit
        The layers, from the bottom.
    couplings : sequence of (Coupling or None), optional
        The couplings, from the bottom. In place of None, or of no sequence at all, a dense coupling is made, of the type and on the device
        of the layer below.
    seed : int
        The dense couplings draw their weights with `seed`, `seed` + 1, ...

    Returns
    -------
    list of Coupling
        One fewer than there are layers.

    Raises
    ------
    TypeError
        For what is no coupling.
    ValueError
        For another number of couplings, and for couplings whose shapes are not those of the layers' statistics.
    """
    couplings = [None] * (len(layers) - 1) if couplings is None else couplings
    if len(couplings) != len(layers) - 1:
        raise ValueError(f"{len(layers)} layers have {len(layers) - 1} couplings between them, found {len(couplings)}")
    links: list[Coupling] = []
    for index, ((below, above), given) in enumerate(zip(pairwise(layers), couplings, strict=True)):
        link = Dense(below.statistic_shape, above.statistic_shape, seed=seed + index).to(below.zero_input()) if given is None else given
        if not isinstance(link, Coupling):
            raise TypeError(f"a coupling is an object such as hm.Dense(784, 500), found {link!r}")
        if (link.visible, link.hidden) != (below.statistic_shape, above.statistic_shape):
            raise ValueError(
                f"the coupling between layers {index} and {index + 1} expects statistics of shapes {link.visible} and {link.hidden}, "
                f"and the layers' are {below.statistic_shape} and {above.statistic_shape}"
            )
        links.append(link)
    return links
