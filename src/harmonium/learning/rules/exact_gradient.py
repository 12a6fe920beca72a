"""The exact gradient of the log-likelihood."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from harmonium.learning.rules.rule import Positive, Rule, Slots
from harmonium.likelihood.exact_log_z import Listing, listing, one_case
from harmonium.models import RBM
from harmonium.processes import world_size
from harmonium.units import NOTHING, Given

MOST_STATES = 2**20
BLOCK = 2**22  # numbers processed together: states times units


@dataclass(frozen=True)
class ExactGradient(Rule):
    """The exact gradient of the mean log-likelihood, for machines of which one side has at most 2^20 states.

    There are no chains, no draws and no bias. The side with fewer states is enumerated in blocks at every update, and the other is summed
    out in closed form, as in `hm.likelihood.exact_log_z`. The other side may have any kind of units. The computation is in the machine's
    own type.

    Raises
    ------
    ValueError
        When learning starts: if both sides are too large or neither can be enumerated, if values are missing (they would have to be drawn),
        or if the machine has no partition function.
    TypeError
        When learning starts: if a layer has no energy.

    Notes
    -----
    grad = <∂E/∂θ>_data + ∂ log Z/∂θ. What changes Z from case to case (absent units, the length of a document, a context) is taken too. It
    costs one enumeration for each distinct condition in a batch.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> rows = torch.eye(6)
    >>> before = hm.likelihood.evaluate(rbm, rows).nats
    >>> state = hm.fit(rbm, rows, negative=hm.ExactGradient(), epochs=5, progress=False)
    >>> hm.likelihood.evaluate(rbm, rows).nats > before
    True
    """

    def check(self, model: RBM, given: Given) -> None:
        if given.missing is not None:
            raise ValueError(
                "the exact gradient draws no samples, and missing values would have to be drawn; learn from complete cases, or use "
                "PersistentCD. (Units that do not exist for a case are absent: given=Given(present=...))"
            )
        for case, _ in _cases(given, 1.0):
            model.check_normalisable(case)
            _listed(model, case)

    def gradient(self, model: RBM, positive: Positive, slots: Slots, *, generator: torch.Generator) -> None:
        model.accumulate_gradient(positive.phase, **positive.weighting(), fresh=True, given=positive.given)
        if not positive.given:
            _add_log_z(model, NOTHING, float(positive.total) / world_size())
            return
        for case, share in _cases(positive.given, positive.shares):
            _add_log_z(model, case, share)


def _cases(given: Given, share: Tensor | float) -> Iterator[tuple[Given, float]]:
    """The distinct conditions of the cases, without leading axes, each with the total share of its cases; one where nothing is given."""
    if not given:
        yield given, 1.0
        return
    columns = [getattr(given, kind) for kind in given.kinds]
    columns = [column.reshape(len(column), -1).cpu().double() for column in columns]
    shares: dict[bytes, float] = {}
    first: dict[bytes, int] = {}
    for n, row in enumerate(torch.cat(columns, dim=1).numpy()):
        key = row.tobytes()
        first.setdefault(key, n)
        shares[key] = shares.get(key, 0.0) + (float(share[n]) if isinstance(share, Tensor) else share)
    for key, n in first.items():
        yield given.rows(n), shares[key]


def _listed(model: RBM, case: Given) -> Listing:
    """The side to enumerate. Raises ValueError if no side can be enumerated, or both are too large."""
    advice = "ContrastiveDivergence and PersistentCD learn any machine"
    try:
        listed = listing(model, case)
    except ValueError as error:
        raise ValueError(f"the exact gradient cannot be computed: {error}. {advice}") from error
    if listed is None:
        raise ValueError(
            "the exact gradient needs a layer whose states can be listed, found unbounded units on both sides: "
            f"{type(model.visible).__name__} and {type(model.hidden).__name__}. {advice}"
        )
    if listed.count > MOST_STATES:
        raise ValueError(
            f"the exact gradient lists the states of the smaller side at every update, at most 2^{math.log2(MOST_STATES):.0f} of them, and "
            f"this machine has 2^{math.log2(listed.count):.0f}. {advice}"
        )
    return listed


def _add_log_z(model: RBM, case: Given, share: float) -> None:
    """Add share · ∂ log Z/∂θ = share · Σ p(x) ∂ log-term(x)/∂θ to every `.grad`, x the states of the enumerated side."""
    case = one_case(model, case)
    model.check_normalisable(case)
    listed = _listed(model, case)
    rows = max(1, BLOCK // max(math.prod(model.visible.shape), math.prod(model.hidden.shape)))
    blocks = torch.split(torch.arange(listed.count, device=model.visible.zero_input().device), rows)
    shares: tuple[Tensor, ...] = ()
    if len(blocks) > 1:  # a first pass for the probabilities only
        with torch.no_grad():
            shares = torch.split(torch.softmax(torch.cat([listed.log_terms(block) for block in blocks]).double(), dim=0), rows)
    for number, block in enumerate(blocks):
        with torch.enable_grad():
            terms = listed.log_terms(block)
        p = shares[number] if shares else torch.softmax(terms.detach().double(), dim=0)
        terms.backward((share * p).to(terms.dtype))  # type: ignore[no-untyped-call]
