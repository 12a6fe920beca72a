"""Do nets with and without unsupervised pre-training ever compute alike while they learn? Fifty trajectories of each in function space.

Paper: Erhan, Manzagol, Bengio, Bengio & Vincent, AISTATS 2009, and JMLR 11 (2010); the tutorial's slide "learning trajectories in
function space" (IPAM 2012): a net is a point, the vector of what it says of all test images; without pre-training "each trajectory
converges to a different local min", and with it "no overlap!". 50 and 50 nets of two hidden layers of sigmoid units learn 10,000
digits of 14 x 14 pixels; after each epoch their outputs on 1,000 test images are kept. One t-SNE and one Isomap show all of them;
overlap is measured in the space itself. Ours, times and machine: results/pretraining-trajectories.json; the protocol in full:
docs/recipes/pretraining-trajectories.md.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from harmonium.files import read_tensors, write_tensors
from harmonium.learning import Callback, Replicas, TrainingState
from harmonium.recipes.pretraining_trajectories.function_space import (
    Points,
    distances,
    gathered,
    isomap,
    mean_distances,
    principal_components,
    share_beside_others,
    tsne,
)
from harmonium.recipes.pretraining_trajectories.pictures import sections
from harmonium.recipes.shared.sigmoid_nets import (
    Cases,
    Descent,
    Pretraining,
    curves_of,
    learn_labels,
    learn_stacks,
    outputs,
    seeds_of,
    sigmoid_net,
    small_mnist,
    untrained_stacks,
)
from harmonium.runs.contract import Metric, Recipe
from harmonium.runs.folder import Run
from harmonium.runs.report_page import write_run_report
from harmonium.seeds import derive

SIDE = 14
KINDS = ("random", "pretrained")  # kind 0 and kind 1 of points
MAPS = "maps"


class Plan(NamedTuple):
    """What the options come to."""

    setting: str
    nets: int
    units: tuple[int, ...]
    cases: int
    images: int
    pretraining: Pretraining
    descent: Descent


@dataclasses.dataclass(frozen=True)
class PretrainingTrajectories(Recipe):
    """Learning trajectories of sigmoid nets in function space, with and without unsupervised pre-training (Erhan et al. 2009)."""

    nets: int = 50
    """Of each kind."""
    units: tuple[int, ...] = (100, 100)
    """Of each hidden layer."""
    cases: int = 10_000
    """Training images, the first ones."""
    images: int = 1000
    """Test images, the first ones, on which a net's outputs are its place in function space."""
    data_dir: Path | None = None
    """Where the four original files are, if not in $HARMONIUM_DATA or the cache."""
    quick: bool = False
    """Some minutes: 15 nets of each kind, 2,000 training images."""
    pretraining: Pretraining = Pretraining()
    descent: Descent = Descent()

    name: ClassVar[str] = "pretraining-trajectories"
    choices: ClassVar[tuple[str, ...]] = ("quick",)
    paper: ClassVar[str] = "Erhan, Manzagol, Bengio, Bengio & Vincent 2009; Erhan et al. 2010"
    published: ClassVar[dict[str, str]] = {
        "share_beside_other_kind": '0 ("no overlap!")',
        "share_beside_other_kind_tsne": '0 ("no overlap!")',
        "share_beside_other_kind_isomap": '0 ("no overlap!")',
    }
    headline_metrics: ClassVar[tuple[str, ...]] = ("share_beside_other_kind",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nets < 2 or not self.units or min(self.units) < 1 or self.images < 1:
            raise ValueError(f"at least two nets of each kind, layers of at least one unit and one image, found {self}")

    def plan(self) -> Plan:
        """What the options come to."""
        plan = Plan("full", self.nets, self.units, self.cases, self.images, self.pretraining, self.descent)
        if self.quick:
            plan = plan._replace(setting="quick", nets=min(self.nets, 15), cases=min(self.cases, 2000))
        if self.smoke:
            pretraining, descent = dataclasses.replace(self.pretraining, epochs=2), dataclasses.replace(self.descent, epochs=2)
            plan = Plan("smoke", 3, (8,) * len(self.units), 200, 50, pretraining, descent)
        return plan

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: learn 50 stacks; learn the labels from them and from random weights, keeping outputs; embed and compare them."""
        torch.set_num_threads(self.threads)
        plan = self.plan()
        cases = small_mnist(self.data_dir, side=SIDE, cases=plan.cases, held_out=0, smoke=self.smoke, device=self.device)
        learn_all(run, plan, cases, self.seed)
        points = points_of(run, plan)
        planes = maps(run, points, derive(self.seed, 1))
        results = self.results(run, plan.setting, [*errors(run, plan), *metrics(points, planes)])
        self.report(run)
        return results

    def report(self, run: Run) -> None:
        plan = self.plan()
        done = run.checkpoint(MAPS).exists()
        points = points_of(run, plan) if done else None
        write_run_report(
            run,
            summary=f"{plan.nets} nets of each kind, {'-'.join(map(str, plan.units))} units, as what they say of {plan.images} images",
            sections=sections(points, read_tensors(run.checkpoint(MAPS))[0] if done else {}, KINDS),
            headline=None if run.finished else (),
        )


class KeepOutputs(Callback):
    """Writes every net's class probabilities on some images before learning and after each epoch: (nets, images, classes)."""

    def __init__(self, run: Run, kind: str, images: Tensor) -> None:
        self.run, self.kind, self.images = run, kind, images

    def on_start(self, state: TrainingState, epochs: int, batches: int) -> None:
        if state.epoch == 0:
            self.on_epoch(state)

    def on_epoch(self, state: TrainingState) -> None:
        assert isinstance(state.model, Replicas)
        found = outputs(state.model, self.images).softmax(-1)
        write_tensors(self.run.checkpoint(place(self.kind, state.epoch)), {"probabilities": found.half()}, {"epoch": state.epoch})


def place(kind: str, epoch: int) -> str:
    """The name of the outputs of a kind's nets after an epoch."""
    return f"outputs {kind} {epoch}"


def learn_all(run: Run, plan: Plan, cases: Cases, seed: int) -> None:
    """The nets of both kinds, whose outputs are then in the run's folder."""
    seeds = seeds_of(seed, plan.nets)
    stacks = {
        "random": untrained_stacks(cases.images, plan.units, plan.nets),
        "pretrained": learn_stacks(run, cases.images, plan.units, plan.pretraining, seeds),
    }
    for kind in KINDS:
        nets = [sigmoid_net(stack, 10, own, pretrained=kind == "pretrained") for stack, own in zip(stacks[kind], seeds, strict=True)]
        keep = KeepOutputs(run, kind, cases.test_images[: plan.images])
        learn_labels(run, kind, Replicas(nets), cases, plan.descent, seed, keep)


def points_of(run: Run, plan: Plan) -> Points:
    """All nets after all epochs, those before the first among them."""
    return gathered(
        torch.stack(
            [
                torch.stack(
                    [read_tensors(run.checkpoint(place(kind, epoch)))[0]["probabilities"] for epoch in range(plan.descent.epochs + 1)]
                )
                for kind in KINDS
            ]
        )
    )


def maps(run: Run, points: Points, seed: int) -> dict[str, Tensor]:
    """The t-SNE and the Isomap of all points together, (points, 2) each; computed only where the run's folder does not have them."""
    path = run.checkpoint(MAPS)
    if not path.exists():
        components = principal_components(points.functions)
        plane, neighbours = isomap(components)
        found = {"tsne": tsne(components, seed), "isomap": plane}
        write_tensors(
            path, {name: torch.from_numpy(np.asarray(each, dtype=np.float32)) for name, each in found.items()}, {"neighbours": neighbours}
        )
    return read_tensors(path)[0]


def errors(run: Run, plan: Plan) -> list[Metric]:
    """Both kinds' median test errors at the end."""
    histories = run.histories()
    found = {kind: curves_of(histories.get(kind, []), plan.nets) for kind in KINDS}
    return [
        (f"test_error_percent_median_{kind}", float(np.median(curves["test_error_percent"][-1])), "%")
        for kind, curves in found.items()
        if curves is not None
    ]


def metrics(points: Points, planes: dict[str, Tensor]) -> list[Metric]:
    """How much the kinds overlap, in function space and in both maps, and how far apart the nets end."""
    learning, last = points.epoch > 0, points.epoch == points.epoch.max()
    nets = int(points.net.max()) + 1
    within_random, within_pretrained, between = mean_distances(points.at(last))
    return [
        ("share_beside_other_kind", share_beside_others(points.at(learning)), ""),
        ("share_beside_other_kind_at_the_end", share_beside_others(points.at(last)), ""),
        ("share_beside_other_kind_by_chance", (nets / 2) / (nets - 1), ""),
        *(
            (f"share_beside_other_kind_{name}", share_beside_others(points.at(learning), distances(plane[learning])), "")
            for name, plane in planes.items()
        ),
        ("distance_between_random", within_random, ""),
        ("distance_between_pretrained", within_pretrained, ""),
        ("distance_between_kinds", between, ""),
    ]
