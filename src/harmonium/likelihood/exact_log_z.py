"""The partition function of a machine small enough to enumerate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from harmonium.likelihood.check_machine import check_machine
from harmonium.models import RBM, BoltzmannMachine
from harmonium.models.normalisable import quadratic_places
from harmonium.sampling.gaps import check_mask
from harmonium.units import NOTHING, Gaussian, Given, ReplicatedSoftmax, Unit
from harmonium.units.groups import leaves

MOST_STATES = 2**25
BLOCK = 2**10


def log_sum(count: int, log_terms: Callable[[Tensor], Tensor], device: torch.device) -> float:
    """log Σ exp over the states numbered 0 to count - 1, a block at a time, in float64."""
    numbers = (torch.arange(start, min(start + BLOCK, count), device=device) for start in range(0, count, BLOCK))
    return torch.stack([torch.logsumexp(log_terms(block).double(), dim=0) for block in numbers]).logsumexp(dim=0).item()


@dataclass(frozen=True)
class Listing:
    """The side of a machine that is enumerated. `states`: the states by number. `log_terms`: log Σ exp(-E) over the other side."""

    hidden: bool  # False: the visible side
    count: int
    states: Callable[[Tensor], Tensor]
    log_terms: Callable[[Tensor], Tensor]


def one_case(model: RBM | BoltzmannMachine, given: Given) -> Given:
    """`given` without missing values, which do not affect log Z. Raises ValueError if its mask is not that of one case."""
    given = given.whole()
    if given.present is not None:
        check_mask(model.visible, given.present, "present")
        if given.present.shape != model.visible.shape:
            raise ValueError(f"log Z is that of one mask, of shape {model.visible.shape}, found shape {tuple(given.present.shape)}")
    return given


def listing(model: RBM | BoltzmannMachine, given: Given) -> Listing | None:
    """The side with fewer states, or None if both have infinitely many. Raises ValueError if both have more than 2^25."""
    if isinstance(model, BoltzmannMachine):
        return _of_boltzmann(model)
    visible, hidden = model.visible, model.hidden
    visible_count = _count(visible, given)
    smaller = min(visible_count, hidden.count)
    if smaller == math.inf:
        return None
    if smaller > MOST_STATES:
        documents = any(isinstance(leaf, ReplicatedSoftmax) for _, _, leaf in leaves(visible))
        listed = "states (of documents of this length, the vectors of counts)" if documents else "states"
        raise ValueError(
            f"exact log Z lists the {listed} of the smaller side, at most 2^25 of them, and this machine has 2^{math.log2(smaller):.0f}; "
            "estimate it with hm.likelihood.ais"
        )
    if hidden.count <= visible_count:
        return Listing(True, int(smaller), hidden.states, lambda numbers: -model.hidden_free_energy(hidden.states(numbers), given))

    def log_terms(numbers: Tensor) -> Tensor:
        v, log_copies = _states(visible, numbers, given)
        terms = log_copies - model.free_energy(v, given)
        if given.present is None:
            return terms
        # An absent unit has no states: only states with one fixed value at its place count.
        counted = (given.present.to(v.device).bool() | (v == _states(visible, numbers.new_zeros(1), given)[0])).flatten(1).all(1)
        return torch.where(counted, terms, -math.inf)

    return Listing(False, int(smaller), lambda numbers: _states(visible, numbers, given)[0], log_terms)


def _of_boltzmann(model: BoltzmannMachine) -> Listing:
    """The visible side. Its free energies enumerate the hidden one in turn."""
    visible, units = model.visible, model.units
    if units.count > MOST_STATES:
        raise ValueError(
            f"exact log Z of a Boltzmann machine lists the joint states of all its units, at most 2^25, and this one has "
            f"{units.shape[0]} units"
        )
    return Listing(False, int(visible.count), visible.states, lambda numbers: -model.free_energy(visible.states(numbers)))


@torch.no_grad()
def exact_log_z(model: RBM | BoltzmannMachine, *, given: Given = NOTHING) -> float:
    """Compute log Z, in nats, by enumerating the side with fewer states and summing out the other in closed form.

    Parameters
    ----------
    model : RBM or BoltzmannMachine
        A machine with at most 25 binary units (2^25 states) on one side. For a general Boltzmann machine all joint states are enumerated,
        at most 2^25.
    given : Given, optional
        One case (no leading axes), where Z depends on it.

    Returns
    -------
    float
        log Z.

    Raises
    ------
    ValueError
        If the machine is too large, if it has no partition function, or if no closed form is known.
    TypeError
        For other models, and if a layer has no energy.

    Notes
    -----
    For documents of a given length the count vectors are enumerated. If both sides have Gaussian units, the discrete units of both are
    enumerated and the Gaussian ones are integrated in closed form.

    Examples
    --------
    >>> import math, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), hm.Dense(6, 4, scale=1e-6))
    >>> round(hm.likelihood.exact_log_z(rbm), 3), round(10 * math.log(2), 3)
    (6.931, 6.931)
    """
    check_machine(model, "exact log Z", general=True)
    given = one_case(model, given)
    model.check_normalisable(given)
    listed = listing(model, given)
    if listed is None:
        assert isinstance(model, RBM)
        return _both_gaussian(model, given)
    return log_sum(listed.count, listed.log_terms, model.visible.zero_input().device)


def _length(unit: ReplicatedSoftmax, given: Given) -> int:
    """The number of words of the one document given."""
    if given.length is None:
        unit.log_partition(unit.zero_input(), given)  # refuses, and says what to give
    assert given.length is not None
    length = torch.as_tensor(given.length)
    if length.numel() != 1 or length.item() < 0 or length.item() != round(length.item()):
        raise ValueError(f"log Z is that of documents of one length, a whole number of words, found {length.tolist()}")
    return int(length.item())


def _count(unit: Unit, given: Given) -> float:
    """The number of joint states of a layer. A document of D words has (D + K - 1 over K - 1) vectors of counts."""
    counts = [
        math.comb(_length(leaf, given) + leaf.categories - 1, leaf.categories - 1) if isinstance(leaf, ReplicatedSoftmax) else leaf.count
        for _, _, leaf in leaves(unit)
    ]
    return math.inf if math.inf in counts else math.prod(counts)


def _states(unit: Unit, numbers: Tensor, given: Given) -> tuple[Tensor, Tensor]:
    """The joint states with these numbers, (cases, *shape), and the logarithm of how many word sequences each stands for, (cases,)."""
    log_copies = torch.zeros(len(numbers), dtype=torch.float64, device=numbers.device)
    parts = [leaf for _, _, leaf in leaves(unit)]
    if not any(isinstance(leaf, ReplicatedSoftmax) for leaf in parts):
        return unit.states(numbers), log_copies
    columns = []
    for leaf in parts:
        count = int(_count(leaf, given))
        if isinstance(leaf, ReplicatedSoftmax):
            length = _length(leaf, given)
            counts = count_vectors(length, leaf.categories, numbers % count)
            log_copies += math.lgamma(length + 1) - torch.lgamma(counts.double() + 1).sum(-1)
            columns.append(counts.to(leaf.zero_input()))
        else:
            columns.append(leaf.states(numbers % count))
        numbers = numbers // count
    return torch.cat(columns, dim=-1), log_copies


@lru_cache(maxsize=64)
def _vectors_within(length: int, others: int) -> Tensor:
    """The number of vectors of `others` + 1 counts that sum to 0, 1, ..., `length`: (length + 1)."""
    return torch.tensor([math.comb(s + others, others) for s in range(length + 1)])


def count_vectors(length: int, categories: int, numbers: Tensor) -> Tensor:
    """The vectors of `categories` counts that sum to `length`, with these numbers in order: (cases, categories) integers."""
    left, columns = torch.full_like(numbers, length), []
    for others in range(categories - 1, 0, -1):
        below = _vectors_within(length, others).to(numbers.device)
        from_end = below[left] - numbers
        rest = torch.searchsorted(below, from_end)
        numbers = below[rest] - from_end
        columns.append(left - rest)
        left = rest
    return torch.stack([*columns, left], dim=-1)


def _discrete_count(unit: Unit) -> int:
    """The number of joint states of a layer's discrete units."""
    return math.prod(1 if isinstance(leaf, Gaussian) else int(leaf.count) for _, _, leaf in leaves(unit))


def _discrete_states(unit: Unit, numbers: Tensor) -> Tensor:
    """Joint states of a layer's discrete units, its Gaussian units at zero: (cases, *shape)."""
    columns = []
    for _, _, leaf in leaves(unit):
        if isinstance(leaf, Gaussian):
            columns.append(leaf.zero_input(len(numbers)))
        else:
            columns.append(leaf.states(numbers % int(leaf.count)))
            numbers = numbers // int(leaf.count)
    return columns[0] if len(columns) == 1 else torch.cat(columns, dim=-1)


def _both_gaussian(model: RBM, given: Given) -> float:
    """Enumerate the discrete units of both sides. The Gaussian units x of both then have energy E(0) - g·x + x'Λx/2.

    E(0) and g come from the model's own energy and its gradient at x = 0; log ∫ exp = -E(0) + g'Λ⁻¹g/2 - ½ log|Λ/2π|.
    """
    if given.present is not None:
        raise ValueError("exact log Z with Gaussian units on both sides takes no mask: drop the absent units from the model instead")
    visible, hidden = model.visible, model.hidden
    unbounded = {type(leaf).__name__ for unit in (visible, hidden) for _, _, leaf in leaves(unit) if _count(leaf, given) == math.inf}
    unbounded |= {"ReplicatedSoftmax" for _, _, leaf in leaves(visible) if isinstance(leaf, ReplicatedSoftmax)}
    if unbounded != {"Gaussian"}:
        raise ValueError(
            "exact log Z needs a layer whose states can be listed, or no unbounded units but Gaussian ones, found unbounded units "
            f"on both sides: {', '.join(sorted(unbounded))}; estimate it with hm.likelihood.ais"
        )
    count_v, count_h = _discrete_count(visible), _discrete_count(hidden)
    if count_v * count_h > MOST_STATES:
        raise ValueError(
            f"with Gaussian units on both sides exact log Z lists the discrete units of both, at most 2^25 joint states, and this "
            f"machine has 2^{math.log2(count_v * count_h):.0f}"
        )
    (rows, row_scale, _), (columns, column_scale, _) = quadratic_places(visible), quadratic_places(hidden)
    row_variance, column_variance = row_scale.square(), column_scale.square()
    device = visible.zero_input().device
    weight = model.coupling.matrix().double()[rows][:, columns] / row_variance.to(device)[:, None] / column_variance.to(device)
    precision = torch.diag(1 / torch.cat([row_variance, column_variance]).to(device))
    precision[: len(rows), len(rows) :] = -weight
    precision[len(rows) :, : len(rows)] = -weight.T
    log_volume = 0.5 * (len(precision) * math.log(2 * math.pi) - torch.logdet(precision))

    def log_terms(numbers: Tensor) -> Tensor:
        v, h = _discrete_states(visible, numbers % count_v), _discrete_states(hidden, numbers // count_v)
        with torch.enable_grad():
            v, h = v.detach().requires_grad_(), h.detach().requires_grad_()
            energy = model.energy(v, h, given)
            down_v, down_h = torch.autograd.grad(energy.sum(), (v, h))
        slope = -torch.cat([down_v.flatten(1)[:, rows], down_h.flatten(1)[:, columns]], dim=1).double()
        terms: Tensor = -energy.detach().double() + 0.5 * (slope * torch.linalg.solve(precision, slope.T).T).sum(1) + log_volume
        return terms

    return log_sum(count_v * count_h, log_terms, device)
