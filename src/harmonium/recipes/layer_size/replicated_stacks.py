"""Stacks of one shape and several seeds, learnt and fine-tuned as replicas."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from statistics import fmean

from torch import nn

from harmonium.learning import ContrastiveDivergence, Replicas, ReplicaSGD, Schedule
from harmonium.learning.replicas.fine_tune_replicas import fine_tune_replicas
from harmonium.learning.replicas.fit_replicas import fit_replicas
from harmonium.learning.replicas.greedy_replicas import features_of
from harmonium.models import DBN, RBM
from harmonium.nets import classifier
from harmonium.recipes.shared.labelled_split import Split
from harmonium.recipes.shared.stack import Layers, Tuning, error_percent, rbms
from harmonium.runs.folder import Run
from harmonium.seeds import derive


@dataclasses.dataclass(frozen=True)
class Judged:
    """What the nets of one shape came to."""

    shape: str
    weights: int
    """Of a net, its softmax layer included: the multiplications of a case."""
    errors: Sequence[float]
    """Of each net on the judged cases, in percent."""
    train_errors: Sequence[float]
    """Of each in its last epoch of training, in percent."""

    @property
    def mean(self) -> float:
        """Of the errors."""
        return fmean(self.errors)


def sizes_of(shape: str) -> tuple[int, ...]:
    """The sizes of the layers: "500-500-2000" is (500, 500, 2000). ValueError for other texts."""
    try:
        sizes = tuple(int(size) for size in shape.split("-"))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 1:
        raise ValueError(f'a shape is the number of units of each layer from the bottom, such as "500-500-2000", found {shape!r}')
    return sizes


def weights_of(shape: str, pixels: int, classes: int) -> int:
    """The number of weights of a net of this shape, biases left out."""
    return sum(below * above for below, above in pairwise((pixels, *sizes_of(shape), classes)))


def learn_stacks(run: Run, shape: str, cases: Split, layers: Layers, seeds: Sequence[int], device: str) -> list[DBN]:
    """A stack for each seed, an RBM of all of them at a time, by CD-1 with mean reconstructions."""
    each = [rbms(cases.images.shape[1], dataclasses.replace(layers, units=sizes_of(shape)), seed) for seed in seeds]
    learned: list[Replicas[RBM]] = []
    for index, same in enumerate(zip(*each, strict=True)):
        phase = f"{shape} layer {index + 1}"
        many = Replicas([rbm.to(device) for rbm in same])
        fit_replicas(
            many,
            features_of(cases.images, learned, run.precision),
            negative=ContrastiveDivergence(steps=layers.gibbs_steps, reconstruction="mean"),
            epochs=layers.epochs,
            batch_size=layers.batch_size,
            optimizer=partial(ReplicaSGD, lr=layers.learning_rate, momentum=layers.early_momentum),
            weight_cost=layers.weight_cost,
            precision=run.precision,
            capture=device == "cuda",
            seed=[derive(seed, index) for seed in seeds],
            callbacks=run.callbacks(phase),
            checkpoint=run.checkpoint(phase),
            progress=False,
        )
        learned.append(many)
    return [DBN([many.take(replica) for many in learned]) for replica in range(len(seeds))]


def judge_shape(
    run: Run, shape: str, cases: Split, layers: Layers, tuning: Tuning, seeds: Sequence[int], classes: int, device: str
) -> Judged:
    """The stacks of one shape, fine-tuned by backpropagation and judged."""
    stacks, phase = learn_stacks(run, shape, cases, layers, seeds, device), f"{shape} backpropagation"
    nets: list[nn.Module] = [classifier(stack, classes, seed=derive(seed, 10)) for stack, seed in zip(stacks, seeds, strict=True)]
    many = Replicas(nets)
    state = fine_tune_replicas(
        many,
        cases.images,
        cases.labels,
        epochs=tuning.epochs,
        head_epochs=tuning.head_epochs,
        batch_size=tuning.batch_size,
        optimizer=partial(ReplicaSGD, lr=tuning.learning_rate, momentum=tuning.momentum),
        schedule=partial(Schedule, lr=lambda epoch: tuning.decay**epoch),
        weight_cost=tuning.weight_cost,
        precision=run.precision,
        capture=device == "cuda",
        seed=[derive(seed, 11) for seed in seeds],
        callbacks=run.callbacks(phase),
        checkpoint=run.checkpoint(phase),
        progress=False,
    )
    errors = [error_percent(net, cases.test_images, cases.test_labels) for net in many]
    own = [state.history[-1][f"train_error_percent.{replica}"] for replica in range(len(seeds))]
    return Judged(shape, weights_of(shape, cases.images.shape[1], classes), errors, own)
