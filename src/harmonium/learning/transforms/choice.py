"""The transforms that `fit` uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from torch import Tensor

from harmonium.learning.rules.rule import Rule
from harmonium.learning.transforms.averaging import Averaging
from harmonium.learning.transforms.balance import Balance
from harmonium.learning.transforms.centring import Centring
from harmonium.learning.transforms.normalising import KeepNormalisable
from harmonium.learning.transforms.sparsity import Sparsity
from harmonium.learning.transforms.standardising import StandardForm
from harmonium.learning.transforms.transform import Transform
from harmonium.models import RBM, MixtureOfRBMs
from harmonium.units import Bernoulli, Gaussian, Given, PooledBlocks, Softmax, Spin
from harmonium.units.groups import leaves

OFFSETS: dict[str, Literal["data", "both"]] = {"centred": "data", "enhanced": "both"}  # of each gradient


class Cases(Protocol):
    """What transforms need of the training cases."""

    @property
    def rows_for_base_rates(self) -> Tensor | None:
        """Some of the cases, with filled gaps; None for a stream."""

    @property
    def known(self) -> Given:
        """What is given of them."""


def chosen_transforms(
    model: RBM,
    rule: Rule,
    cases: Cases,
    sparsity: Sparsity | None,
    gradient: str,
    standardise: bool,
    averaging: float | None,
    others: Sequence[Transform],
) -> list[Transform]:
    """The transforms, in the order in which they change the gradient. `cases`: some training cases, and what is given of them.

    Raises ValueError for settings that cannot be combined, and for a machine that the rule does not learn.
    """
    rule.check(model, cases.known)
    found: list[Transform] = [] if sparsity is None else [_checked(model, sparsity)]
    found += others
    if gradient not in ("plain", *OFFSETS):
        raise ValueError(f"gradient is one of 'plain', {', '.join(map(repr, OFFSETS))}, found {gradient!r}")
    standard = standardise and StandardForm.changes(model)
    if gradient != "plain":
        if standard:
            raise ValueError(f"standardise=True already centres real-valued units; for gradient={gradient!r} give standardise=False")
        if gradient == "enhanced" and not rule.contrasts:
            raise ValueError(f'an enhanced gradient needs means of the model, which {type(rule).__name__} does not compute; use "centred"')
        found.append(Centring(model, OFFSETS[gradient]))
    if standard:
        found.append(StandardForm(model, cases.rows_for_base_rates))
    bounded = KeepNormalisable(model, cases.known)
    if bounded.concerned:
        found.append(bounded)
    if isinstance(model, MixtureOfRBMs) and model.balance:
        found.append(Balance(model.balance))
    if averaging is not None:
        found.append(Averaging(averaging))
    names = [transform.name for transform in found]
    if len(set(names)) < len(names):
        raise ValueError(f"transforms must have different names, found {', '.join(names)}: override `name` in one of them")
    return found


def _checked(model: RBM, sparsity: Sparsity) -> Sparsity:
    """The sparsity target, if the hidden units have a mean activity that it can lower. Raises ValueError otherwise."""
    kinds = [leaf for _, _, leaf in leaves(model.hidden)]
    signed = sorted({type(leaf).__name__ for leaf in kinds if isinstance(leaf, Gaussian | Spin)})
    if signed:
        raise ValueError(f"a sparsity target is a mean activity, for units whose states are zero or more, found {', '.join(signed)} units")
    binary = all(isinstance(leaf, Bernoulli | Softmax | PooledBlocks) for leaf in kinds)
    if not sparsity.target > 0 or (binary and sparsity.target >= 1):
        raise ValueError(
            f"a sparsity target is {'a probability between 0 and 1' if binary else 'a mean activity above 0'}, found {sparsity.target}"
        )
    return sparsity
