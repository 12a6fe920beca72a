"""Nets of one and of three hidden layers, from learnt and from random weights, each chosen by a search on validation cases."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harmonium.couplings import Dense
from harmonium.data.mnist_variations import Cases, Variation
from harmonium.files import read_tensors, write_tensors
from harmonium.learning import (
    ContrastiveDivergence,
    LogUniform,
    MomentumSGD,
    Schedule,
    Sparsity,
    features,
    fine_tune,
    fit,
    predict,
    search,
)
from harmonium.models import DBN, RBM
from harmonium.nets import classifier
from harmonium.recipes.shared.kept_figure import timed
from harmonium.runs.folder import Run
from harmonium.seeds import derive
from harmonium.units import Bernoulli

DEPTHS = {"nnet": 1, "dbn1": 1, "dbn3": 3}
TITLES = {"nnet": "NNet", "dbn1": "DBN-1", "dbn3": "DBN-3"}
SMALL_BATCH, BATCH, MORE = 20, 100, 4


@dataclasses.dataclass(frozen=True)
class Search:
    """What is tried on each data set for each kind of net."""

    widths: tuple[int, ...] = (500, 1000)
    """Hidden units of each layer: a stack is learnt of each width."""
    epochs: int = 100
    """Over the training images, for each layer of a stack, in batches of 100."""
    layer_rate: float = 0.03
    """Learning rate of a layer; its momentum is 0.5 for five epochs, then 0.9."""
    sparsity: float = 0.05
    """The share of the time that a hidden unit is to be on, while a layer learns."""
    sparsity_cost: float = 0.3
    trials: int = 9
    """Learning rates, weight costs and widths that backpropagation begins with; a third of them goes on, and of these a third."""
    tuning_epochs: int = 27
    """Of the trial that is kept to the end."""
    final_epochs: int = 60
    """At most, of the net with the settings of the best trial."""
    patience: int = 8
    """Epochs without a lower validation error, after which it ends."""
    few: int = 2_000
    """Training cases, below which epochs of all kinds are four times as many, and backpropagation has batches of 20 instead of 100."""
    costs: tuple[float, ...] = (1.0, 5.0, 25.0)
    """C of the support vector machines."""
    kernel_widths: tuple[float, ...] = (0.5, 1.0, 2.0)
    """Their γ, times the number of pixels times their variance."""

    def __post_init__(self) -> None:
        if not self.widths or min(self.widths) < 1 or min(self.epochs, self.trials, self.tuning_epochs, self.final_epochs) < 1:
            raise ValueError(f"a search has widths, epochs and trials of at least 1, found {self}")

    def batch_size(self, cases: Cases) -> int:
        """Cases per mini-batch of backpropagation."""
        return SMALL_BATCH if len(cases.images) < self.few else BATCH

    def times(self, cases: Cases) -> int:
        """Factor of the numbers of epochs."""
        return MORE if len(cases.images) < self.few else 1


def tested_path(run: Run, name: str, kind: str) -> Path:
    """Where the outcome of a search is kept."""
    return run.checkpoint(f"{name} {kind} tested")


def stack(run: Run, name: str, data: Variation, how: Search, width: int, seed: int) -> list[RBM]:
    """Three RBMs of one width, learnt one above the other by CD-1 towards sparse hidden units; pixels are probabilities.

    Parameters
    ----------
    run, name
        The folder of the run, and the set's name in its checkpoints: a layer that is learnt is read from there.
    data
        The set, of which the training images are learnt.
    how, width, seed
        Epochs, rate and sparsity; the hidden units of each layer; the seed of weights and draws.
    """
    rbms: list[RBM] = []
    for layer in range(max(DEPTHS.values())):
        below = data.train.images.shape[1] if layer == 0 else width
        rbm = RBM(
            Bernoulli(below, values="probabilities"), Bernoulli(width), Dense(below, width, scale=0.01, seed=derive(seed, width, layer))
        )
        phase = f"{name} {width} layer {layer + 1}"
        fit(
            rbm,
            features(data.train.images, *rbms),
            negative=ContrastiveDivergence(),
            epochs=how.epochs * how.times(data.train),
            batch_size=BATCH,
            optimizer=partial(MomentumSGD, lr=how.layer_rate, momentum=0.5),
            schedule=partial(Schedule, momentum=lambda epoch: 0.5 if epoch < 5 else 0.9),
            weight_cost=2e-4,
            gradient="centred",
            sparsity=Sparsity(how.sparsity, how.sparsity_cost),
            precision=run.precision,
            seed=derive(seed, width, layer, 1),
            callbacks=run.callbacks(phase),
            checkpoint=run.checkpoint(phase),
            progress=False,
        )
        rbms.append(rbm)
    return rbms


def start(kind: str, rbms: list[RBM], classes: int, seed: int) -> nn.Sequential:
    """The net that backpropagation begins with: of a stack, or of random weights uniform within 1 / sqrt(inputs)."""
    net = classifier(DBN(rbms[: DEPTHS[kind]]), classes, seed=seed, scale=0.01)
    if kind == "nnet":
        generator = torch.Generator().manual_seed(derive(seed, 1))
        for module in net:
            if isinstance(module, nn.Linear):
                bound = module.in_features**-0.5
                with torch.no_grad():
                    module.weight.uniform_(-bound, bound, generator=generator)
                    module.bias.zero_()
    return net


def learn(run: Run, name: str, kind: str, data: Variation, how: Search, seed: int) -> dict[str, Any]:
    """Searches one kind of net on one data set, and judges the best on the test cases, once. What is done is read from the run.

    Parameters
    ----------
    run, name
        The folder of the run, and the set's name in its checkpoints.
    kind
        A name of `DEPTHS`.
    data
        The set: learnt from the training cases, chosen on the validation cases.
    how, seed
        What is tried, and the seed of all draws.

    Returns
    -------
    dict
        The settings, the errors in percent, and the table of the trials.
    """
    path = tested_path(run, name, kind)
    if not path.exists():
        stacks = {width: stack(run, name, data, how, width, seed) for width in how.widths}
        more = how.times(data.train)
        with timed(run, f"{name} {kind} search"):
            found = search(
                lambda seed, width: start(kind, stacks[width], data.classes, seed),
                {"width": how.widths, "lr": LogUniform(0.01, 0.3), "momentum": (0.9,), "weight_cost": (0.0, 1e-5, 1e-4)},
                tuple(data.train),
                tuple(data.valid),
                trials=how.trials,
                epochs=how.tuning_epochs * more,
                score=_score,
                batch_size=how.batch_size(data.train),
                head_epochs=0,
                seed=derive(seed, DEPTHS[kind], kind == "nnet"),
                progress=False,
            )
        best = found.best
        net = start(kind, stacks[best.settings["width"]], data.classes, best.seed)
        phase = f"{name} {kind}"
        fine_tune(
            net,
            *data.train,
            validation=(data.valid.images, data.valid.labels),
            epochs=how.final_epochs * more,
            head_epochs=0,
            patience=how.patience * more,
            batch_size=how.batch_size(data.train),
            optimizer=partial(MomentumSGD, lr=best.settings["lr"], momentum=best.settings["momentum"]),
            weight_cost=best.settings["weight_cost"],
            precision=run.precision,
            seed=best.seed,
            callbacks=run.callbacks(phase),
            checkpoint=run.checkpoint(phase),
            progress=False,
        )
        errors = {"validation": error_percent(net, data.valid), "test": error_percent(net, data.test)}
        table = [{key: value for key, value in row.items() if key not in ("seed", "momentum")} for row in found.table]
        write_tensors(path, net.state_dict(), {**errors, "settings": best.settings, "trials": table})
    return read_tensors(path)[1]


def error_percent(net: nn.Module, cases: Cases) -> float:
    """The share of cases that a net gets wrong, in percent."""
    return 100 * int((predict(net, cases.images).argmax(1) != cases.labels).sum()) / len(cases.labels)


def _score(net: nn.Module, validation: tuple[Tensor, Tensor]) -> float:
    """The validation error in percent, and where two nets have the same, the loss."""
    outputs, labels = predict(net, validation[0]), validation[1]
    wrong = 100 * (outputs.argmax(1) != labels).double().mean().item()
    return wrong + min(F.cross_entropy(outputs, labels).item(), 100.0) * 1e-4
