"""MNIST by convolutional nets, from layers learnt without labels and from random weights, with and without distorted digits.

Paper: Ranzato, Poultney, Chopra & LeCun (NIPS 2006), as the tutorial's slide has it: with 600,000 distorted digits a convolutional net
whose first layer was learnt without labels has 0.39 % of the test digits wrong, and from random weights 0.49 %; without distortions, 0.60
and 0.70 %. Theirs learns sparse codes of patches for one layer of a LeNet. Here both layers are convolutional RBMs with probabilistic
max-pooling (Lee, Grosse, Ranganath & Ng 2009), and the net is their unrolled stack, so that the sizes of the effect may be compared and
not the errors themselves. Each start has the rate that suits it. Distortions are those of Simard, Steinkraus & Platt (2003). Ours, times
and machine: results/mnist-conv.json; what was tried: docs/recipes/mnist-conv.md.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from harmonium.data import elastic, mnist
from harmonium.files import read_tensors
from harmonium.models import DBN
from harmonium.models.saving import restore
from harmonium.recipes.conv.layers import SIDE, Maps, learn, machines
from harmonium.recipes.conv.pictures import sections
from harmonium.recipes.shared.labelled_split import Split, split
from harmonium.recipes.shared.stack import Tuning, error_percent, tune
from harmonium.runs.contract import Metric, Recipe
from harmonium.runs.folder import Run
from harmonium.runs.report_page import write_run_report
from harmonium.seeds import derive

PRETRAINED, RANDOM = "pretrained", "random"


@dataclasses.dataclass(frozen=True)
class MnistConv(Recipe):
    """A convolutional net of MNIST, with and without layers that were learnt from unlabelled images."""

    held_out: int = 0
    """Judge on this many held-out training cases, not on the test set: for choosing settings."""
    data_dir: Path | None = None
    """Where the four original files are, if not in $HARMONIUM_DATA or the cache."""
    quick: bool = False
    """A few minutes: 10,000 images, half the maps, two epochs a layer, no distortions."""
    cases: int = 60_000
    """Images and labels to learn from, the first ones."""
    distortions: int = 10
    """Distorted copies of each image in the second pair of nets; 0 leaves that pair out."""
    maps: Maps = Maps()
    tuning: Tuning = Tuning(epochs=30, head_epochs=1, learning_rate=0.2, momentum=0.9, decay=0.9)
    """Of learnt layers, for all images; with distortions for `distorted_epochs`."""
    random: Tuning = Tuning(epochs=30, head_epochs=0, learning_rate=0.08, momentum=0.9, decay=0.9)
    """Of random ones."""
    distorted_epochs: int = 15
    distorted_decay: float = 0.8

    name: ClassVar[str] = "mnist-conv"
    choices: ClassVar[tuple[str, ...]] = ("quick",)
    paper: ClassVar[str] = "Ranzato et al. 2006; Lee et al. 2009"
    published: ClassVar[dict[str, str]] = {
        "test_error_percent_pretrained": "0.60 (another net)",
        "test_error_percent_random": "0.70 (another net)",
        "test_distorted_error_percent_pretrained": "0.39 (another net)",
        "test_distorted_error_percent_random": "0.49 (another net)",
    }
    headline_metrics: ClassVar[tuple[str, ...]] = ("test_error_percent_pretrained", "test_error_percent_random")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cases < 1:
            raise ValueError(f"expected at least one case, found --cases {self.cases}")

    def plan(self) -> MnistConv:
        """What the options come to."""
        if self.smoke:
            few = dataclasses.replace(self.maps, channels=(3, 4), epochs=1)
            once = [dataclasses.replace(each, epochs=1, head_epochs=0) for each in (self.tuning, self.random)]
            return dataclasses.replace(self, cases=200, distortions=1, maps=few, tuning=once[0], random=once[1], distorted_epochs=1)
        if self.quick:
            few = dataclasses.replace(self.maps, channels=(16, 32), epochs=2)
            short = [dataclasses.replace(each, epochs=10) for each in (self.tuning, self.random)]
            return dataclasses.replace(self, cases=10_000, distortions=0, maps=few, tuning=short[0], random=short[1])
        return self

    def split(self) -> Split:
        """What to learn from and to be judged on."""
        found = split(mnist.load(self.data_dir), self.held_out, smoke=self.smoke)
        kept = self.plan().cases
        return dataclasses.replace(found, images=found.images[:kept], labels=found.labels[:kept])

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: learn the layers, fine-tune them and random ones, then both again with distorted images; judge and draw."""
        plan, cases = self.plan(), self.split()
        stacks = {PRETRAINED: learn(run, as_images(cases.images), plan.maps, self.seed), RANDOM: fresh(plan.maps, self.seed)}
        tunings = {PRETRAINED: plan.tuning, RANDOM: plan.random}
        metrics = errors(run, stacks, cases, tunings, self.seed)
        if plan.distortions:
            shorter = {
                start: dataclasses.replace(tuning, epochs=plan.distorted_epochs, decay=plan.distorted_decay, head_epochs=0)
                for start, tuning in tunings.items()
            }
            more = with_distortions(cases, plan.distortions, derive(self.seed, 8))
            metrics += errors(run, stacks, more, shorter, derive(self.seed, 9), "distorted_")
        setting = "smoke" if self.smoke else "quick" if self.quick else "full"
        results = self.results(run, setting, metrics)
        self.report(run)
        return results

    def report(self, run: Run) -> None:
        plan, count = self.plan(), len(self.split().images)
        stack = learnt(run, plan.maps, self.seed)
        layers = " and ".join(str(channels) for channels in plan.maps.channels)
        write_run_report(
            run,
            summary=f"Convolutional layers of {layers} maps, learnt from {count:,} unlabelled images, then fine-tuned on their labels",
            sections=sections(run, stack),
        )


def as_images(pixels: Tensor) -> Tensor:
    """(cases, 784) as (cases, 1, 28, 28)."""
    return pixels.reshape(-1, 1, SIDE, SIDE)


def fresh(maps: Maps, seed: int) -> DBN:
    """A stack that has learnt nothing."""
    return DBN(machines(maps, derive(seed, 7)))


def with_distortions(cases: Split, copies: int, seed: int) -> Split:
    """The cases and so many distorted copies of each."""
    moved = [elastic(cases.images, seed=derive(seed, copy)) for copy in range(copies)]
    return dataclasses.replace(cases, images=torch.cat([cases.images, *moved]), labels=cases.labels.repeat(copies + 1))


def errors(run: Run, stacks: dict[str, DBN], cases: Split, tunings: dict[str, Tuning], seed: int, kind: str = "") -> list[Metric]:
    """The share of the judged cases that the nets of both stacks get wrong.

    Parameters
    ----------
    run
        The folder of the run.
    stacks, tunings
        By where the nets begin.
    cases
        What they learn from and are judged on.
    seed
        The seed of the softmax layers and of the order of the cases.
    kind
        What stands before "error" in the metrics' names.
    """
    found: list[Metric] = []
    for start, stack in stacks.items():
        phase = " ".join(filter(None, ("backpropagation,", kind.removesuffix("_"), start)))
        net = tune(run, phase, stack, cases, 10, tunings[start], seed)
        found.append((f"{cases.name}_{kind}error_percent_{start}", error_percent(net, cases.test_images, cases.test_labels), "%"))
    return found


def learnt(run: Run, maps: Maps, seed: int) -> DBN:
    """The layers that a run has begun to learn. ValueError if there is none."""
    found = []
    for index, rbm in enumerate(machines(maps, seed)):
        path = run.checkpoint(f"layer {index + 1}")
        if path.exists():
            restore(rbm, read_tensors(path)[0], "model.")
            found.append(rbm)
    if not found:
        raise ValueError(f"{run.folder} has learnt nothing yet: its first checkpoint comes after the first epoch")
    return DBN(found)
