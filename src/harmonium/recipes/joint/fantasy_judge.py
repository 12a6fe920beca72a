"""A judge of fantasies: a convolutional net that has learnt from real digits alone, and distances that tell variety from copies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from harmonium.learning import Schedule, fine_tune, predict
from harmonium.nets.visible import after_visible
from harmonium.runs.folder import Run
from harmonium.seeds import derive
from harmonium.units import Bernoulli

JUDGE = "judge"  # the phase's name
MAPS = (16, 32)
KERNEL = 5
BLOCK = 1000  # cases whose distances to all others are held together: 240 MB beside 60,000


def learn_judge(
    run: Run, images: Tensor, labels: Tensor, *, shape: tuple[int, int], classes: int, seed: int, epochs: int = 6
) -> nn.Sequential:
    """Two layers of convolution and pooling under a linear one, learnt from real images: (cases, pixels) -> (cases, classes) logits.

    `images`: (cases, pixels) uint8 or from 0 to 1, of `shape` (height, width), each side at least 4; `labels`: (cases,) integers below
    `classes`. On MNIST it takes two to three minutes of one core. Its training is a phase of the run, with a checkpoint.
    ValueError for images or labels that do not fit.
    """
    if len(shape) != 2 or min(shape) < 4:
        raise ValueError(f"the judge pools images twice, by two: their sides must be at least 4, found {tuple(shape)}")
    net = untrained(shape, classes, seed)
    fine_tune(
        net,
        images,
        labels,
        epochs=epochs,
        head_epochs=0,
        optimizer=partial(torch.optim.Adam, lr=2e-3),
        schedule=partial(Schedule, lr=lambda epoch: 0.5 * (1 + math.cos(math.pi * epoch / epochs))),
        precision=run.precision,
        seed=derive(seed, 1),
        callbacks=run.callbacks(JUDGE),
        checkpoint=run.checkpoint(JUDGE),
        progress=False,
    )
    return net


@torch.no_grad()
def untrained(shape: tuple[int, int], classes: int, seed: int) -> nn.Sequential:
    """The judge before learning, its weights from N(0, 2 / inputs) drawn with `seed` (He, Zhang, Ren & Sun 2015)."""
    sides = [side // 4 for side in shape]
    convolution = partial(nn.Conv2d, kernel_size=KERNEL, padding=KERNEL // 2, device="meta")  # else drawn from the global seed
    net = after_visible(
        Bernoulli(math.prod(shape), values="probabilities"),
        nn.Unflatten(1, (1, *shape)),
        convolution(1, MAPS[0]),
        nn.MaxPool2d(2),
        nn.ReLU(),
        convolution(MAPS[0], MAPS[1]),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(MAPS[1] * math.prod(sides), classes, device="meta"),
    ).to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        if parameter.dim() == 1:
            parameter.zero_()
        else:
            parameter.normal_(std=math.sqrt(2 / parameter[0].numel()), generator=generator)
    return net


@dataclass(frozen=True, eq=False)
class Judgement:
    """What is found of fantasies, by class; distances are Euclidean between pixels from 0 to 1.

    Attributes:
        recognised: (classes,) the share that the judge takes for the class they were to be of.
        apart: (classes,) the mean distance between two fantasies of a class.
        real_apart: (classes,) the same of real test cases.
        nearest: (fantasies,) from each to the nearest training case of any class.
        test_nearest: (test cases,) the same of the test cases.
        labels: (fantasies,) the class that each was to be of.
        test_labels: (test cases,).
    """

    recognised: Tensor
    apart: Tensor
    real_apart: Tensor
    nearest: Tensor
    test_nearest: Tensor
    labels: Tensor
    test_labels: Tensor

    @property
    def share(self) -> float:
        """The share of all fantasies that are recognised."""
        counts = torch.bincount(self.labels, minlength=len(self.recognised))
        return float((self.recognised * counts).sum() / counts.sum())

    @property
    def variety(self) -> Tensor:
        """(classes,) how far apart fantasies of a class are beside real cases: 1 where as far."""
        return self.apart / self.real_apart

    def table(self) -> list[dict[str, Any]]:
        """One row per class, then one for all classes, as the report shows them."""
        rows: list[dict[str, Any]] = [
            {
                "class": label,
                "recognised": float(self.recognised[label]),
                "distance within": float(self.apart[label]),
                "of real digits": float(self.real_apart[label]),
                "ratio": float(self.variety[label]),
                "nearest training case (median)": float(self.nearest[self.labels == label].median()),
                "of test cases (median)": float(self.test_nearest[self.test_labels == label].median()),
            }
            for label in range(len(self.recognised))
        ]
        means = {name: sum(row[name] for row in rows) / len(rows) for name in ("distance within", "of real digits", "ratio")}
        medians = {
            "nearest training case (median)": float(self.nearest.median()),
            "of test cases (median)": float(self.test_nearest.median()),
        }
        return [*rows, {"class": "all", "recognised": self.share, **means, **medians}]


def judge_fantasies(
    judge: nn.Sequential, fantasies: Tensor, labels: Tensor, *, training: Tensor, test: Tensor, test_labels: Tensor
) -> Judgement:
    """Whether fantasies are what they were to be, differ from each other as real cases do, and are no copies of training cases.

    `fantasies`: (fantasies, pixels), `labels`: (fantasies,) the class of each; `training`, `test`: real images, (cases, pixels), the test
    cases with their labels. Images are uint8, or from 0 to 1. ValueError where a class has fewer than two fantasies or test cases.
    """
    labels, test_labels = labels.long(), test_labels.long()
    logits = predict(judge, fantasies)
    classes = logits.shape[1]
    for name, which in (("fantasies", labels), ("test cases", test_labels)):
        counts = torch.bincount(which, minlength=classes)
        if len(counts) > classes or int(counts.min()) < 2:
            raise ValueError(f"every class from 0 to {classes - 1} takes at least two {name}, found {counts.tolist()} of each")
    right = (logits.argmax(1) == labels).double()
    dreamt, real, known = levels(fantasies), levels(test), levels(training)
    return Judgement(
        recognised=torch.stack([right[labels == label].mean() for label in range(classes)]),
        apart=torch.tensor([mean_distance(dreamt[labels == label]) for label in range(classes)]),
        real_apart=torch.tensor([mean_distance(real[test_labels == label]) for label in range(classes)]),
        nearest=nearest(dreamt, known),
        test_nearest=nearest(real, known),
        labels=labels,
        test_labels=test_labels,
    )


def levels(images: Tensor) -> Tensor:
    """Grey levels as float32 from 0 to 1."""
    return images.float() / 255 if images.dtype == torch.uint8 else images.float()


def mean_distance(cases: Tensor) -> float:
    """The mean Euclidean distance between two different cases of (cases, pixels)."""
    total = 0.0
    for number, block in enumerate(torch.split(cases, BLOCK)):
        found = torch.cdist(block, cases).double()
        found.diagonal(number * BLOCK).zero_()  # rounding leaves something of a case's distance from itself
        total += float(found.sum())
    return total / (len(cases) * (len(cases) - 1))


def nearest(cases: Tensor, others: Tensor) -> Tensor:
    """The Euclidean distance from each of (cases, pixels) to the nearest of `others`, (others, pixels): (cases,).

    The products that find it round off small distances, which are those of copies: that to the one found is computed anew.
    """
    found = torch.cat([torch.cdist(block, others).argmin(1) for block in torch.split(cases, BLOCK)])
    return (cases - others[found]).square().sum(1).sqrt()
