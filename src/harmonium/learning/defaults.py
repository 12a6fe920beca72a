"""How `fit` learns where it is told neither an optimiser nor a gradient."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from harmonium.learning.length import Length
from harmonium.learning.loop.falling import LinearFall
from harmonium.learning.loop.momentum import MomentumSGD
from harmonium.learning.loop.plan import Groups, MakeOptimizer
from harmonium.learning.loop.settings import described
from harmonium.learning.loop.trainer import Callback
from harmonium.learning.made_of import all_binary, all_of, has, is_deep, is_dense, is_endless, takes_means
from harmonium.learning.rules import ContrastiveDivergence, PersistentCD, Rule
from harmonium.learning.start import as_made
from harmonium.learning.transforms.standardising import StandardForm
from harmonium.models import DBM, RBM
from harmonium.units import Bernoulli, Exponential, Gaussian, Given, Poisson, Spin, Unit
from harmonium.units.checks import as_number
from harmonium.units.groups import leaves
from harmonium.units.scaled import Scaled

Gradient = Literal["plain", "centred", "enhanced"]
MOMENTUM = 0.9
COUNTED, ENDLESS, REAL, BOTH = 0.8, 0.1, 0.3, 0.05
"""Rate times the data's largest variance: of bounded layers and counts, unbounded hidden units, real-valued data, and both."""
HIGHEST = 0.5
NOISIEST = 0.08  # rate times the root of the largest variance, of real-valued data
PERSISTENT, YOUNG = 0.25, 0.5  # factors for rules with chains that have to follow the machine, for long or for a few updates
FOLLOWED = 10.0  # most hidden units that chains of data without a bound can follow, times the share of the highest rate
VISITS = 10  # of each case of real-valued data by bounded units, before which the rate does not fall with the length
LASTING = 0.1  # of binary RBMs with such chains: the rate falls with the length from here, unless it is lower anyway
DEEP = 0.5  # factor for deep Boltzmann machines
BRITTLE = 0.02  # the rate of Adam
TUNING_RATE = 0.05  # of backpropagation
COST = 1e-3  # the most that weights cost
PER_WORD = 4.0  # most that it may be times the mean length of a document
SHORT = 300  # updates; longer trainings have lower rates
SEEING, LONG = 1_000, 10_000  # updates from which chains are seldom begun anew, and from which never
RENEWAL, EARLY = 0.1, 0.3  # probabilities that a chain begins anew at a case: between the two, and before
SWEEPS, MOST = 30, 2**24  # of the power method; numbers that it looks at


def rule_of(model: RBM | DBM, known: Given, length: Length, chosen: bool, before: str | None, standardise: bool = True) -> Rule:
    """The rule of a training that names none: chains that begin anew at a case now and then, longer ones in longer trainings.

    Contrastive divergence learns fast at first. Its chains stay near the data. So it never sees what probability the machine gives to
    other states: the likelihood ends lower or falls again, and clusters get wrong weights. Persistent chains see it, if they have the
    updates to get there and the machine does not change too fast for them. Chains that begin anew at a case after some steps are in
    between. They are for bounded units in all layers, and for few bounded hidden units of real-valued data and counts: where values have
    no bound, an update moves a machine the further the more hidden units it has, and two hundred carry such chains away unless the rate is
    low. Short trainings have them with binary hidden units alone, and RBMs of binary units on both sides do as well without.

    Parameters
    ----------
    model : RBM or DBM
        The model.
    known : Given
        What is given of the cases. Chains that persist belong to none.
    length : Length
        Of the training.
    chosen : bool
        Whether the user has chosen how to learn, which leaves contrastive divergence.
    before : str, optional
        The rule, `described`, of the training that this one goes on from, which keeps it.
    standardise : bool, default True
        Whether real-valued units learn in standard form.

    Returns
    -------
    Rule
        The rule.
    """
    nearby, early, seeing, lasting = ContrastiveDivergence(), *(PersistentCD(renewal=share) for share in (EARLY, RENEWAL, 0.0))
    if before is not None:
        return next((rule for rule in (early, seeing, lasting) if before == described(rule)), nearby)
    machine, plain = model.machine, type(model) in (RBM, DBM) and is_dense(model) and not known
    if chosen or not length.updates or not plain or is_endless(machine.hidden) or not is_followed(model, length, standardise):
        return nearby
    if length.updates >= SEEING:
        return lasting if length.updates >= LONG and all_binary(machine) else seeing
    above = list(model.layers)[1:] if isinstance(model, DBM) else [machine.hidden]
    alike = len(above) == 1 and all_of(machine.visible, Bernoulli, Spin)
    return early if all(all_of(layer, Bernoulli) for layer in above) and not alike else nearby


def is_followed(model: RBM | DBM, length: Length, standardise: bool) -> bool:
    """Whether chains that do not begin anew at each update keep up with a machine of bounded hidden units."""
    machine = model.machine
    if not is_endless(machine.visible):
        return True
    known = all(leaf.count < math.inf or isinstance(leaf, Gaussian | Poisson) for _, _, leaf in leaves(machine.visible))
    if not known or not is_lawful(model, standardise and StandardForm.changes(machine)):
        return False
    return math.prod(machine.hidden.shape) * share_left(machine, length) <= FOLLOWED


def share_left(machine: RBM, length: Length) -> float:
    """What the length leaves of a machine's highest rate: all of it up to 300 updates, of real-valued data up to ten epochs, too."""
    visits = VISITS if has(machine.visible, Scaled) and not is_endless(machine.hidden) else 0
    return min(1.0, max(SHORT, visits * length.epoch) / max(length.updates, 1))


@dataclass(frozen=True)
class Defaults:
    """How a machine learns by default.

    Parameters
    ----------
    optimizer : callable
        Parameter groups -> the optimiser.
    rate : float
        Its learning rate at the first update.
    gradient : {"plain", "centred"}
        The gradient.
    falls : bool
        Whether the rate falls linearly to zero over the training.
    cost : float, default 0
        The weight cost.
    """

    optimizer: MakeOptimizer
    rate: float
    gradient: Gradient
    falls: bool
    cost: float = 0.0

    @property
    def watchers(self) -> list[Callback]:
        """What lets the rate fall."""
        return [LinearFall(self.rate)] if self.falls else []


def defaults_of(
    model: RBM | DBM, cases: tuple[Tensor, Tensor | None] | None, length: Length, standardise: bool, rule: Rule, chosen: bool = False
) -> Defaults:
    """How a model learns by default, by SGD with momentum or, with exponential hidden units and for documents, by Adam.

    Adam's steps are bounded. A document's part of the gradient grows with its length: a rate of SGD at which the longest do no harm is one
    at which the others teach nothing. What a step does to a hidden unit's input grows with the length, too: long documents take a lower
    rate.

    The rate has two bounds. A constant over the largest eigenvalue λ of the data's covariance bounds the curvature that a weight meets; a
    larger rate diverges. A rate that falls with the length of the training bounds its noise. Counted units take the lower of c / λ and 0.5,
    times √(300 / updates); real-valued data the lower of c / λ and 0.08 / √λ, the latter times 300 / updates. With bounded hidden units ten
    epochs take the place of 300 updates if they have more: many cases are not learnt by heart. Deep machines have half of c:
    what their layers do to one another adds to the curvature. Rules with persistent chains have a quarter of c, in deep machines too, or
    half of it if a chain begins anew with a probability of 0.3 or more, or all of it for real-valued data and few bounded hidden units,
    whose chains keep up. With such rules an RBM of binary units has 0.1 √(300 / updates) where that is more, up to that bound.

    Weights between bounded units cost what a normal prior of variance 1 makes them cost, 1 / cases, but at most 0.001. Few cases are then
    not learnt by heart, and chains still move between them. Where data are means they cost nothing: means vary little, and the cost leaves
    more hidden units that see none of it.

    Parameters
    ----------
    model : RBM or DBM
        The model.
    cases : tuple of Tensor and Tensor or None, optional
        Some training cases, (cases, *visible.shape), with filled gaps, and their weights; None for a stream. Without them, for deep
        machines with a real-valued or unbounded layer, for couplings in which a weight serves many places, and for positive data of
        rectified or exponential units, the rate is low, the same throughout, and the gradient plain.
    length : Length
        Of the training.
    standardise : bool
        Whether real-valued units learn in standard form.
    rule : Rule
        The learning rule.
    chosen : bool, default False
        Whether the user has chosen how to learn, so that the gradient is plain and no rate falls by itself.

    Returns
    -------
    Defaults
        The optimiser, its rate, the gradient, whether the rate falls, and the weight cost.
    """
    machine = model.machine
    standard = standardise and StandardForm.changes(machine)
    if cases is None or not is_lawful(model, standard):
        rate = cautious_rate(machine, standardise)
        return Defaults(partial(MomentumSGD, lr=rate, momentum=MOMENTUM), rate, "plain", False)
    share = share_left(machine, length)
    words = model.visible.given_by(cases[0]).length
    if words is not None or has(machine.hidden, Exponential):
        rate = min(BRITTLE, PER_WORD / mean_of(words, cases[1]) if words is not None else math.inf) * share**0.5
        return Defaults(partial(torch.optim.Adam, lr=rate), rate, "plain", not chosen)
    deep, real, endless = is_deep(model), has(machine.visible, Scaled), is_endless(machine.hidden)
    constant = (BOTH if endless else REAL) if real else ENDLESS if endless else COUNTED
    largest = max(largest_variance(model.visible, *cases, standard), 1.0 if real else 1e-12)  # less in standard form is of constant data
    eager = real and not endless and is_followed(model, length, standardise)
    steepest = constant * (1.0 if eager else caution(rule, deep)) / largest
    if real:
        rate = min(steepest, NOISIEST / largest**0.5 * share)
    else:
        highest, lasting = min(steepest, HIGHEST), LASTING if rule.divided and not deep and all_binary(machine) else 0.0
        rate = min(highest, max(highest, lasting) * share**0.5)
    plain = chosen or standard or model.visible.scales_hidden_bias
    free = chosen or real or endless or is_endless(machine.visible) or takes_means(machine.visible) or not length.cases
    cost = 0.0 if free else min(COST, 1 / length.cases)
    return Defaults(partial(MomentumSGD, lr=rate, momentum=MOMENTUM), rate, "plain" if plain else "centred", not chosen, cost)


def is_lawful(model: RBM | DBM, standard: bool) -> bool:
    """Whether the rate follows from the data's variance: see `defaults_of`. `standard`: real-valued units learn in standard form."""
    machine = model.machine
    if not is_dense(model) or has(machine.visible, Exponential):
        return False
    if any(isinstance(leaf, Scaled) and (leaf.one_sided or not standard) for _, _, leaf in leaves(machine.visible)):
        return False
    return not is_deep(model) or not any(has(layer, Scaled) or is_endless(layer) for layer in (machine.visible, machine.hidden))


def caution(rule: Rule, deep: bool) -> float:
    """The share of the highest rate that a rule takes: less with chains that follow the machine."""
    if not rule.divided:
        return DEEP if deep else 1.0
    return YOUNG if isinstance(rule, PersistentCD) and rule.renewal >= EARLY else PERSISTENT


def mean_of(values: Tensor, weights: Tensor | None) -> float:
    """The weighted mean over cases, (cases,)."""
    values = values.double()
    return float(values.mean() if weights is None else weights.to(values) @ values / weights.sum())


def cautious_rate(model: RBM, standardise: bool) -> float:
    """A rate for any machine and any data. It is lower if a layer is real-valued or unbounded.

    It is lowest where one step too large makes an input that an exponential unit cannot take.
    """
    layers = [[leaf for _, _, leaf in leaves(unit)] for unit in (model.visible, model.hidden)]
    endless = [any(leaf.count == math.inf for leaf in layer) for layer in layers]
    scaled = any(isinstance(leaf, Scaled) for layer in layers for leaf in layer)
    brittle = any(isinstance(leaf, Exponential) for leaf in layers[1])
    return 1e-4 if brittle or (scaled and (all(endless) or not standardise)) else 1e-3 if any(endless) else 1e-2


@torch.no_grad()
def largest_variance(visible: Unit, rows: Tensor, weights: Tensor | None, standard: bool) -> float:
    """The largest eigenvalue of the covariance of the visible units' statistics, in standard form if `standard`; by the power method."""
    every = -(-rows.numel() // MOST)
    rows, weights = rows[::every], None if weights is None else weights[::every]
    if standard and as_made(visible):
        visible = copy.deepcopy(visible)
        visible.init_from(rows, weights)
    found = visible.statistic(rows).double()
    scale = visible.standard() if standard else None
    x = (found if scale is None else found * scale[1].double()).flatten(1)
    share = (x.new_ones(len(x)) if weights is None else weights.to(x)) / (len(x) if weights is None else weights.sum())
    x = (x - share @ x) * share.sqrt()[:, None]
    direction = x[x.square().sum(1).argmax()]
    for _ in range(SWEEPS):
        direction = x.mT @ (x @ direction)
        direction = direction / direction.norm().clamp_min(1e-300)
    return float((x @ direction).square().sum())


def groups_of(model: RBM, weight_cost: float) -> Groups:
    """Parameter groups of an optimiser: the coupling's parameters, with the weight cost, and the units'. ValueError for no such cost."""
    if not 0 <= as_number(weight_cost) < math.inf:
        raise ValueError(f"weight_cost is a number, zero or more, found {weight_cost!r}")
    return [
        {"params": list(model.coupling.parameters()), "weight_decay": weight_cost},
        {"params": [*model.visible.parameters(), *model.hidden.parameters()], "weight_decay": 0.0},
    ]
