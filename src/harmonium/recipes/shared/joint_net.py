"""A deep belief net of images and their labels: learnt greedily, then by contrastive wake-sleep (Hinton, Osindero & Teh 2006).

Labels stand beside the layer below the top one, so that the top machine models both. Each step keeps its own checkpoint.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Literal, NamedTuple, cast

from harmonium.couplings import Dense
from harmonium.files import read_tensors
from harmonium.learning import ContrastiveDivergence, MomentumSGD, PersistentCD, Rule, Schedule, features, fit, wake_sleep
from harmonium.models import DBN, RBM
from harmonium.models.labels import with_labels
from harmonium.models.saving import restore
from harmonium.recipes.shared.labelled_split import Split
from harmonium.recipes.shared.stack import Layers, learn, rbms
from harmonium.runs.folder import Run
from harmonium.seeds import derive
from harmonium.units import Bernoulli, Groups, Softmax

TOP, UP_DOWN = "top layer with labels", "up-down"  # the phases' names


@dataclasses.dataclass(frozen=True)
class Top:
    """How the machine of the top layer and the labels is learnt, in what it differs from the layers below."""

    learning_rate: float = 0.05
    scale: float = 0.01
    """Standard deviation of the initial weights: with 0.1 half of the units die in the first epoch."""
    reconstruction: Literal["mean", "sample"] = "sample"


@dataclasses.dataclass(frozen=True)
class UpDown:
    """How wake-sleep goes on from the greedily learnt stack."""

    epochs: int = 240
    steps: tuple[int, int] = (3, 6)
    """Gibbs sweeps of the top machine's contrastive divergence, in the first and the second third of the epochs."""
    chains: int = 200
    """Persistent ones, that the top machine learns from in the last third."""
    learning_rate: float = 0.1
    """At first; it falls linearly to zero."""
    momentum: float = 0.0
    batch_size: int = 100
    weight_cost: float = 0.0
    averaging: float = 0.1
    """The share of the updates, the last ones, that parameters are averaged over."""

    def __post_init__(self) -> None:
        if self.epochs < 1 or min(*self.steps, self.chains) < 1:
            raise ValueError(f"wake-sleep takes at least one epoch, one sweep and one chain, found {self}")

    def negative(self, epoch: int) -> Rule:
        """The top machine's particles in this epoch."""
        third = 3 * epoch // self.epochs
        return ContrastiveDivergence(self.steps[third]) if third < 2 else PersistentCD(self.chains)


class JointPlan(NamedTuple):
    """How a net is learnt: its layers, the top one with the labels, and all of it by wake-sleep."""

    layers: Layers
    labelled: Top
    up_down: UpDown
    seed: int

    @property
    def lower(self) -> Layers:
        """The layers that have no labels beside them."""
        return dataclasses.replace(self.layers, units=self.layers.units[:-1])


def joint_plan(layers: Layers, labelled: Top, up_down: UpDown, *, smoke: bool, quick: bool, seed: int) -> JointPlan:
    """What a recipe's options come to. ValueError where there is no layer below the top one, for labels to stand beside."""
    if len(layers.units) < 2:
        raise ValueError(f"labels stand beside the layer below the top one: give at least two hidden layers, found {layers.units}")
    if smoke or quick:
        layers = dataclasses.replace(layers, epochs=1 if smoke else 8)
        up_down = dataclasses.replace(up_down, epochs=3 if smoke else 12)
    return JointPlan(layers, labelled, up_down, seed)


def untrained_top(plan: JointPlan, classes: int) -> RBM:
    """The machine of the layer below and the label, before learning."""
    below, above = plan.layers.units[-2:]
    visible = Groups(Bernoulli(below, values="probabilities"), Softmax(1, categories=classes))
    coupling = Dense(below + classes, above, scale=plan.labelled.scale, seed=derive(plan.seed, 3))
    return RBM(visible, Bernoulli(above), coupling)


def learn_greedily(run: Run, plan: JointPlan, cases: Split, classes: int) -> DBN:
    """The greedy phase: the lower layers without labels, then the top one with them."""
    layers = plan.layers
    lower = learn(run, cases, plan.lower, plan.seed).rbms
    top = untrained_top(plan, classes).to(cases.images.device)
    fit(
        top,
        with_labels(features(cases.images, *lower), cases.labels, classes),
        negative=ContrastiveDivergence(reconstruction=plan.labelled.reconstruction),
        epochs=layers.epochs,
        batch_size=layers.batch_size,
        optimizer=partial(MomentumSGD, lr=plan.labelled.learning_rate, momentum=layers.early_momentum),
        schedule=partial(Schedule, momentum=lambda epoch: layers.early_momentum if epoch < 5 else layers.late_momentum),
        weight_cost=layers.weight_cost,
        precision=run.precision,
        capture=cases.images.is_cuda,
        seed=derive(plan.seed, 4),
        callbacks=run.callbacks(TOP),
        checkpoint=run.checkpoint(TOP),
        progress=False,
    )
    return DBN([*lower, top], labels=True)


def learn_up_down(run: Run, plan: JointPlan, dbn: DBN, cases: Split) -> DBN:
    """A copy of the net after wake-sleep, with averaged parameters."""
    up_down = plan.up_down
    state = wake_sleep(
        dbn.untie(),
        cases.images,
        labels=cases.labels,
        negative=up_down.negative,
        epochs=up_down.epochs,
        batch_size=up_down.batch_size,
        optimizer=partial(MomentumSGD, lr=up_down.learning_rate, momentum=up_down.momentum),
        schedule=partial(Schedule, lr=lambda epoch: 1 - epoch / up_down.epochs),
        weight_cost=up_down.weight_cost,
        averaging=up_down.averaging,
        validation=(cases.test_images, cases.test_labels) if cases.name == "validation" else None,
        precision=run.precision,
        capture=cases.images.is_cuda,
        seed=derive(plan.seed, 5),
        callbacks=run.callbacks(UP_DOWN),
        checkpoint=run.checkpoint(UP_DOWN),
        progress=False,
    )
    return cast(DBN, state.averaged())


def learnt_so_far(run: Run, plan: JointPlan, cases: Split, classes: int) -> DBN:
    """The net of a run that has come as far as its top machine, with wake-sleep's averaged parameters where that has begun.

    ValueError if it has not come as far.
    """
    if not run.checkpoint(TOP).exists():
        raise ValueError(f"{run.folder} has no whole net yet: its top machine's first checkpoint comes after its first epoch")
    lower = rbms(cases.images.shape[1], plan.lower, plan.seed)
    for index, rbm in enumerate(lower):
        restore(rbm, read_tensors(run.checkpoint(f"layer {index + 1}"))[0], "model.")
    dbn = DBN([*lower, untrained_top(plan, classes)], labels=True)
    restore(dbn.top, read_tensors(run.checkpoint(TOP))[0], "model.")
    if run.checkpoint(UP_DOWN).exists():
        dbn = dbn.untie()
        restore(dbn, read_tensors(run.checkpoint(UP_DOWN))[0], "slots.averaging.")
    return dbn
