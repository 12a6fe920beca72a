"""What a notebook shows of models, estimates, evaluations and training states: a small table and a small picture."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import singledispatch
from typing import Any

import torch
from torch import Tensor, nn

from harmonium.couplings import Coupling
from harmonium.learning import TrainingState
from harmonium.likelihood import Evaluation
from harmonium.likelihood.annealing import Estimate
from harmonium.likelihood.bridge import Difference
from harmonium.likelihood.dbn_bound import VariationalBound
from harmonium.models import (
    DBM,
    DBN,
    RBM,
    BoltzmannMachine,
    CommunityOfExperts,
    DeepMixtureOfFactorAnalysers,
    MixtureOfFactorAnalysers,
    SigmoidBeliefNet,
)
from harmonium.models.experts import Experts
from harmonium.units import Unit

from .card_page import Drawing, bars, curve, page, picture
from .evaluation_picture import evaluation
from .receptive_fields import filters
from .tiles import draw

SHOWN_FIELDS = 24  # receptive fields of a picture
LARGEST_MATRIX = 200_000  # weights that are drawn as one picture


@singledispatch
def card(value: object) -> str:
    """A model, estimate, evaluation or training state as a piece of HTML that needs nothing else: a small table and a small picture.

    It is what a notebook shows of them. Its colours are those of the page around it, light or dark, and all text is escaped.

    Parameters
    ----------
    value
        An `RBM`, `DBN`, `DBM`, `SigmoidBeliefNet`, `BoltzmannMachine`, `ProductOfExperts` or a mixture; what `hm.likelihood.ais`, `bridge`,
        `dbn_bound` or `evaluate` returned; or a `TrainingState`.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    TypeError
        For anything else.

    Examples
    --------
    >>> import harmonium as hm
    >>> html = hm.report.card(hm.RBM(64, 20))
    >>> "64 Bernoulli" in html, "<script" in html
    (True, False)
    """
    raise TypeError(f"there are cards of models, estimates, evaluations and training states, found {type(value).__name__}")


# Models -------------------------------------------------------------------------------------------------------------------------


@card.register
def _of_rbm(model: RBM) -> str:
    rows = [_layer("hidden", model.hidden), _link(model.coupling), _layer("visible", model.visible)]
    return page("RBM", rows, figure=_weights(model.visible, model.coupling), note=_size(model))


@card.register
def _of_dbn(model: DBN) -> str:
    rows = [_layer("top, hidden", model.top.hidden), _link(model.top.coupling), _layer("top, visible", model.top.visible)]
    for number, layer in reversed(list(enumerate(model.upwards()))):
        rows += [_link(layer.coupling), _layer("data" if number == 0 else f"layer {number}", layer.neighbour)]
    directions = "recognition and generation untied" if model.untied else "recognition and generation tied"
    return page("DBN", rows, figure=_weights(model.visible, model.rbms[0].coupling), note=f"{_size(model)}, {directions}")


@card.register
def _of_dbm(model: DBM) -> str:
    return _of_layers("DBM", model, model.layers, model.couplings)


@card.register
def _of_belief_net(model: SigmoidBeliefNet) -> str:
    return _of_layers("SigmoidBeliefNet", model, model.layers, [layer.coupling for layer in model.directed()])


@card.register
def _of_community(model: CommunityOfExperts) -> str:
    rows: list[tuple[str, object]] = [(f"layer {level}", f"{size:,} experts") for level, size in enumerate(model.hidden, start=1)]
    figure = _weights(model.visible, model.linear_layers()[0].coupling)
    return page("CommunityOfExperts", [*reversed(rows), _layer("data", model.visible)], figure=figure, note=_size(model))


@card.register
def _of_boltzmann(model: BoltzmannMachine) -> str:
    rows = [_layer("visible", model.visible), *([] if model.hidden is None else [_layer("hidden", model.hidden)])]
    return page("BoltzmannMachine", rows, note=_size(model))


@card.register(Experts)
def _of_experts(model: Experts) -> str:
    rows = [
        (f"expert {number}", f"RBM of {_units(each.visible)} and {_units(each.hidden)}" if isinstance(each, RBM) else _units(each))
        for number, each in enumerate(model.each(), start=1)
    ]
    return page(type(model).__name__, rows, note=_size(model))


@card.register
def _of_factor_analysers(model: MixtureOfFactorAnalysers) -> str:
    return page("MixtureOfFactorAnalysers", [("mixture", _analysers(model))], note=_size(model))


@card.register
def _of_deep_factor_analysers(model: DeepMixtureOfFactorAnalysers) -> str:
    rows = [("each prior", _analysers(model.each()[0])), ("base", _analysers(model.base))]
    return page("DeepMixtureOfFactorAnalysers", rows, note=_size(model))


def _analysers(model: MixtureOfFactorAnalysers) -> str:
    components, visible, factors = model.loadings.shape
    return f"{components:,} × {factors:,} factors of {visible:,} units"


def _of_layers(title: str, model: nn.Module, layers: Sequence[Unit], couplings: Sequence[Coupling]) -> str:
    """Layers with their couplings, the data's at the foot."""
    rows: list[tuple[str, object]] = []
    for number in range(len(layers) - 1, -1, -1):
        rows.append(_layer("data" if number == 0 else f"layer {number}", layers[number]))
        if number:
            rows.append(_link(couplings[number - 1]))
    return page(title, rows, figure=_weights(layers[0], couplings[0]), note=_size(model))


def _units(unit: Unit) -> str:
    return f"{' × '.join(f'{size:,}' for size in unit.shape)} {type(unit).__name__}"


def _layer(name: str, unit: Unit) -> tuple[str, object]:
    return name, _units(unit)


def _link(coupling: Coupling) -> tuple[str, object]:
    count = sum(parameter.numel() for parameter in coupling.parameters())
    return "", f"↕ {type(coupling).__name__}, {count:,} weights"


def _size(model: nn.Module) -> str:
    parameters = list(model.parameters())
    kind = str(parameters[0].dtype).removeprefix("torch.")
    return f"{sum(each.numel() for each in parameters):,} parameters, {kind} on {parameters[0].device.type}"


@torch.no_grad()
def _weights(visible: Unit, coupling: Coupling) -> Drawing | None:
    """The first weights: receptive fields if the visible layer can be an image, otherwise the matrix if it is small."""
    size = math.prod(visible.shape)
    if math.prod(coupling.visible) != size or size * math.prod(coupling.hidden) > 100 * LARGEST_MATRIX:
        return None
    matrix = coupling.matrix().reshape(size, -1)
    side = math.isqrt(size)
    colours = len(visible.shape) == 3 and (visible.shape[0] in (1, 3)) != (visible.shape[2] in (1, 3))
    if colours or len(visible.shape) == 2:
        return picture(filters(matrix, visible.shape, count=SHOWN_FIELDS), "Receptive fields of the hidden units with the largest weights")
    if side * side == size and side > 3:
        text = f"Weights of the hidden units that have the largest, as images of {side} by {side}"
        return picture(filters(matrix, (side, side), count=SHOWN_FIELDS), text)
    if matrix.numel() > LARGEST_MATRIX:
        return None
    return picture(draw(matrix.numpy(force=True)[None, None].astype("float64"), diverging=True), "Weights: visible units by hidden units")


# Estimates ----------------------------------------------------------------------------------------------------------------------


@card.register
def _of_estimate(found: Estimate) -> str:
    chains = len(found.log_weights)
    rows = [
        ("log Z", f"{found.log_z:.3f} ± {found.standard_error:.2g} nats"),
        ("effective sample size", f"{found.ess:.1f} of {chains:,} chains"),
    ]
    return page("Estimate of log Z", rows, figure=bars(_finite(found.log_weights), "Log-weights of the chains, relative to their mean"))


@card.register
def _of_difference(found: Difference) -> str:
    return page("Difference of log Z", _plain(vars(found)))


@card.register
def _of_bound(found: VariationalBound) -> str:
    return page(
        "Variational bound", _plain(vars(found)), figure=bars(_finite(found.values), "Bounds of the cases (nats), relative to their mean")
    )


def _finite(values: Tensor) -> list[float]:
    centred = values.double() - values.double().mean()
    return [value for value in centred.flatten().tolist() if math.isfinite(value)]


def _plain(values: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Figures as they are, and tensors by their shape."""
    return [
        (name.replace("_", " "), f"{tuple(value.shape)} {value.dtype}" if isinstance(value, Tensor) else _number(value))
        for name, value in values.items()
    ]


def _number(value: object) -> object:
    return f"{value:.4g}" if isinstance(value, float) else value


@card.register
def _of_evaluation(found: Evaluation) -> str:
    what = "Bound on log p" if found.bound else "log p"
    plural = "s" if found.cases != 1 else ""
    head = f"{what}: {found.cautious.nats:.2f} ± {found.case_error:.2f} nats per case, over {found.cases:,} case{plural}"
    rows: list[Sequence[object]] = [("", "nats per case", "±", "log Z", "±", "ESS")]
    for row in found.rows():
        values = (row.nats, row.case_error, row.log_z, row.log_z_error, row.ess)
        rows.append((row.name, *("" if value is None else f"{value:.2f}" for value in values)))
    figure = None if found.exact else picture(evaluation(found), found.trust)  # the sentence stands in the picture
    words = [] if found.perplexity is None else [f"Perplexity per word: {found.perplexity:.2f}."]
    return page(found.verdict, rows, head=head, figure=figure, note=" ".join([*words, *([found.trust] if found.exact else [])]))


# Learning -----------------------------------------------------------------------------------------------------------------------


@card.register
def _of_state(state: TrainingState) -> str:
    optimizer = state.optimizer
    rates = sorted({float(group["lr"]) for group in optimizer.param_groups if isinstance(group.get("lr"), float | int)})
    rows: list[Sequence[object]] = [
        ("model", type(state.model).__name__),
        ("updates", f"{state.step:,} in {state.epoch:,} epoch{'s' * (state.epoch != 1)}, {state.seconds:.1f} s"),
        (
            "optimiser",
            f"{type(optimizer).__name__}, learning rate {', '.join(f'{rate:g}' for rate in rates)}" if rates else type(optimizer).__name__,
        ),
    ]
    if "negative" in state.settings:
        rows.append(("rule", state.settings["negative"]))
    for name in _metrics(state.history):
        values = [float(row.get(name, math.nan)) for row in state.history]
        last = next((value for value in reversed(values) if math.isfinite(value)), math.nan)
        rows.append((name.replace("_", " "), f"{last:.4g}", curve(values, f"{name} by epoch")))
    return page(type(state).__name__, rows, note=None if state.history else "No epoch is complete yet.")


def _metrics(history: Iterable[Mapping[str, float]]) -> list[str]:
    """Every metric in order of appearance: not those of single replicas, which have a dot in their names."""
    names = dict.fromkeys(name for row in history for name in row)
    return [name for name in names if name not in ("epoch", "step", "seconds") and "." not in name]
