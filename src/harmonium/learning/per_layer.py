"""Settings that differ from one layer of a stack to the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class PerLayer:
    """One value of a setting for each machine of a stack, from the bottom up. `greedy` and `greedy_dbm` take it for any setting of `fit`.

    Parameters
    ----------
    *values
        As many as there are machines; None leaves a setting at its default.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> layers = [hm.Bernoulli(6), hm.Bernoulli(5), hm.Bernoulli(4)]
    >>> sparse = hm.PerLayer(hm.Sparsity(target=0.1), None)
    >>> dbn = hm.greedy(torch.eye(6), layers, epochs=hm.PerLayer(2, 5), sparsity=sparse, progress=False)
    """

    def __init__(self, *values: Any) -> None:
        self.values = values

    def __repr__(self) -> str:
        return f"PerLayer({', '.join(map(repr, self.values))})"


def check_layers(settings: Mapping[str, Any], machines: int) -> None:
    """Raise a ValueError for a setting with values for another number of machines."""
    for name, value in settings.items():
        if isinstance(value, PerLayer) and len(value.values) != machines:
            raise ValueError(f"{name}= has {len(value.values)} values for the {machines} machines of the stack: give one for each")


def check_one_layer(function: str, settings: Mapping[str, Any]) -> None:
    """Raise a TypeError for a setting with values for the layers of a stack, where one model is trained."""
    for name, value in settings.items():
        if isinstance(value, PerLayer):
            raise TypeError(f"{function} trains one model and takes one value of {name}=, found {value!r}: hm.greedy takes one a layer")


def of_layer(settings: Mapping[str, Any], index: int) -> dict[str, Any]:
    """The settings of one machine."""
    found = {name: value.values[index] if isinstance(value, PerLayer) else value for name, value in settings.items()}
    return {name: value for name, value in found.items() if value is not None or not isinstance(settings[name], PerLayer)}
