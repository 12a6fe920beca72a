"""A stack of RBMs learnt from unlabelled images and fine-tuned by backpropagation: all that a run learns, how it is judged and drawn."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from harmonium.data import Dataset, binarise
from harmonium.files import read_tensors
from harmonium.likelihood import Evaluation, evaluate
from harmonium.models import DBN, RBM
from harmonium.models.saving import restore
from harmonium.recipes.shared.labelled_split import Split
from harmonium.recipes.shared.stack import (
    GENERATION,
    Generation,
    Layers,
    Tuning,
    error_percent,
    learn,
    learn_to_generate,
    learnt_rbms,
    random_stack,
    tune,
)
from harmonium.recipes.shared.stack_pictures import one_of_each, sections
from harmonium.report import evaluation, fantasies
from harmonium.runs.contract import Metric
from harmonium.runs.folder import EVALUATION, SAMPLES, Run
from harmonium.runs.likelihood_metrics import RAISE_CASES
from harmonium.runs.report_page import write_run_report
from harmonium.sampling import film
from harmonium.seeds import derive

ERROR_METRICS = {
    "backpropagation": "error_percent",
    "backpropagation by conjugate gradients": "conjugate_gradients_error_percent",
    "backpropagation with dropout": "dropout_error_percent",
    "backpropagation from random weights": "no_pretraining_error_percent",
}


class Plan(NamedTuple):
    """What a run does."""

    setting: str  # its name in the records
    layers: Layers
    generation: Generation
    tunings: dict[str, Tuning]  # each phase of fine-tuning; all that are pre-trained begin at the same stack
    seed: int = 0


class Learnt(NamedTuple):
    """What a run learns: the stack to classify from, the one to generate from, which has another top RBM, and the nets by phase."""

    stack: DBN
    generating: DBN
    nets: dict[str, nn.Sequential]

    def to(self, device: str) -> Learnt:
        """The same on a device, in place."""
        for model in (self.stack, self.generating, *self.nets.values()):
            model.to(device)
        return self


def learn_all(run: Run, plan: Plan, cases: Split, classes: int) -> Learnt:
    """The three steps: layer by layer, the top layer for generation, and backpropagation; each from its checkpoint where there is one."""
    stack = learn(run, cases, plan.layers, plan.seed)
    generating = learn_to_generate(run, cases, stack, plan.generation, plan.layers.weight_cost, plan.seed)
    return Learnt(stack, generating, tune_all(run, plan, cases, stack, classes))


def tune_all(run: Run, plan: Plan, cases: Split, stack: DBN, classes: int) -> dict[str, nn.Sequential]:
    """Backpropagation in every way that is planned, each from the same stack, or from random weights."""
    fresh = random_stack(cases.images.shape[1], plan.layers, derive(plan.seed, 12))
    return {
        phase: tune(run, phase, stack if tuning.pretrained else fresh, cases, classes, tuning, plan.seed)
        for phase, tuning in plan.tunings.items()
    }


def errors(cases: Split, nets: dict[str, nn.Sequential]) -> list[Metric]:
    """The share of the judged cases that each net gets wrong."""
    return [
        (f"{cases.name}_{ERROR_METRICS[phase]}", error_percent(net, cases.test_images, cases.test_labels), "%")
        for phase, net in nets.items()
    ]


def bottom_likelihood(cases: Split, rbm: RBM, *, betas: int, chains: int, sweeps: int) -> Evaluation:
    """How probable the bottom RBM makes pixels drawn once from the judged images' grey levels, held against training images drawn alike."""
    test = binarise(cases.test_images, "fixed", seed=30)
    training = binarise(cases.images[: len(test)], "fixed", seed=31)
    return evaluate(rbm, test, training=training, chains=chains, betas=betas, sweeps=sweeps, raise_cases=RAISE_CASES, seed=0, progress=True)


def bottom_metric(cases: Split) -> str:
    """The name of that likelihood."""
    return f"bottom_rbm_{cases.name}_nats_fixed_stochastic"


def bottom_words(cases: Split, found: Evaluation) -> str:
    """What a report says of it."""
    return (
        f"The bottom RBM alone gives the {cases.name} images {found.cautious.nats:.2f} nats each, by {found.cautious.name}, the lowest of "
        f"its estimates. {found.trust} It learns from grey levels as probabilities; its likelihood is that of pixels drawn once from them."
    )


def learnt_so_far(run: Run, plan: Plan, cases: Split) -> DBN:
    """The layers that a run has begun to learn, finished or not. ValueError if there is none."""
    layers = learnt_rbms(run, cases.images.shape[1], plan.layers, plan.seed)
    if not layers:
        raise ValueError(f"{run.folder} has learnt nothing yet: its first checkpoint comes after the first epoch")
    if run.checkpoint(GENERATION).exists():
        restore(layers[-1], read_tensors(run.checkpoint(GENERATION))[0], "model.")
    return DBN(layers)


def draw_evaluation(run: Run, plan: Plan, cases: Split, *, betas: int, chains: int, sweeps: int) -> Evaluation:
    """The bottom RBM's likelihood, drawn into evaluation.png."""
    found = bottom_likelihood(cases, learnt_so_far(run, plan, cases).rbms[0], betas=betas, chains=chains, sweeps=sweeps)
    title = f"The bottom RBM of {run.recipe}, on {cases.name} images with pixels drawn once from their grey levels"
    evaluation(found, title=title).savefig(run.folder / EVALUATION, dpi=110)
    return found


def draw_samples(run: Run, plan: Plan, data: Dataset, cases: Split, *, steps: int, seed: int) -> Path:
    """Fantasies, a chain begun at an image of each class, drawn into samples.png; says where it is."""
    start, generator = one_of_each(cases, data.classes), torch.Generator().manual_seed(seed)
    shown = film(learnt_so_far(run, plan, cases), len(start), start=start, frames=10, steps=steps, generator=generator)
    path, frames = run.folder / SAMPLES, [steps * (frame + 1) for frame in range(10)]
    fantasies(shown.reshape(*shown.shape[:2], *data.image_shape), steps=frames).savefig(path, dpi=110)
    return path


def draw_report(run: Run, plan: Plan, data: Dataset, cases: Split, learnt: Learnt | None = None) -> None:
    """report.html of a finished or unfinished run. `learnt`: of a finished one, where it is at hand; else it is read from the run."""
    if run.finished:
        _, generating, nets = learnt or learn_all(run, plan, cases, data.classes)
        words, nats = ", then fine-tuned by backpropagation on their labels", run.results()["likelihood"]
    else:
        generating, nets, words, nats = learnt_so_far(run, plan, cases), {}, "", ""
    stack, count = "-".join(str(rbm.hidden.shape[0]) for rbm in generating.rbms), len(cases.images)
    write_run_report(
        run,
        summary=f"A deep belief net of {stack} hidden units, learnt from {count:,} unlabelled images one layer at a time" + words,
        sections=sections(
            run, data, cases, generating, {phase: net for phase, net in nets.items() if plan.tunings[phase].pretrained}, nats
        ),
    )
