"""The pictures of a joint model of digits and labels."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from harmonium.data import Dataset
from harmonium.models import DBN, label_log_probability
from harmonium.recipes.joint.fantasy_judge import Judgement
from harmonium.recipes.shared.labelled_split import Split
from harmonium.report import Section, fantasies, filters, image_grid, learning_curves, mistakes
from harmonium.report import film as moving
from harmonium.runs.folder import Run
from harmonium.sampling import complete, film

SHOWN = 10  # chains, or images, a row


@torch.no_grad()
def sections(run: Run, dbn: DBN, data: Dataset, cases: Split, judgement: Judgement | None, *, short: bool, seed: int) -> list[Section]:
    """The report's parts, pictures first. `short`: a smoke run's few sweeps."""
    generator = torch.Generator().manual_seed(seed)
    classes, steps = torch.arange(data.classes), 2 if short else 100
    many = classes.repeat_interleave(SHOWN)
    of_class = film(dbn, len(many), frames=3 if short else 30, steps=steps, generator=generator, labels=many)
    dreams = of_class.reshape(*of_class.shape[:2], *data.image_shape)
    mind = film(dbn, SHOWN, frames=3 if short else 12, steps=2 if short else 20, generator=generator, start=_some(cases, SHOWN))
    parts = [
        Section(
            "Every class on demand",
            f"A class a row, {SHOWN} chains of Gibbs sampling in the top machine with that label clamped, begun at random states; a frame "
            f"every {steps} sweeps. Pixels are shown as probabilities, after one stochastic top-down pass.",
            [(moving(dreams, columns=SHOWN, limits=(0, 1)), "ten chains of every class as they go on")],
        ),
        Section(
            "What is on its mind",
            f"Chains begun at an up-pass of {cases.name} images, labels free; one row per chain.",
            [
                (
                    fantasies(mind.reshape(*mind.shape[:2], *data.image_shape), limits=(0, 1)),
                    "the chains as they go on, 20 sweeps between frames",
                )
            ],
        ),
        Section(
            "Half an image completed",
            "Above what was seen; below it the completion of the lower half with the label free, then with the label clamped to the truth.",
            [(_halves(dbn, data, cases, generator, short), "seen, completed, completed as the class that it was")],
        ),
    ]
    if judgement is not None:
        text = (
            "Of independent chains, each begun at random states. Recognised: by a convolutional net that has learnt from real digits "
            "alone. Distances are Euclidean, between pixels from 0 to 1."
        )
        parts.append(Section("Are the fantasies digits, different ones, and new?", text, table=judgement.table()))
    first = dbn.rbms[0].coupling.matrix().cpu()
    generative = dbn.generative[0].get_parameter("coupling.weight").detach().cpu()
    parts += [
        Section("Mistakes", "", [_mistakes(dbn, data, cases)]),
        Section(
            "Features",
            "",
            [
                (filters(first, data.image_shape, count=60), "the first layer's recognition weights, the largest"),
                (filters(generative, data.image_shape, count=60), "its generative weights, the largest"),
            ],
        ),
        Section("Learning", "", [(learning_curves(run.histories()), "the figures of each phase against its epochs")]),
    ]
    return parts


def _some(cases: Split, count: int) -> Tensor:
    """The first judged images, from 0 to 1."""
    return cases.test_images[:count].float() / 255


def _halves(dbn: DBN, data: Dataset, cases: Split, generator: torch.Generator, short: bool) -> Figure:
    """Images whose lower half is missing, and two completions of each."""
    images = _some(cases, 12)
    missing = torch.zeros(len(images), *data.image_shape, dtype=torch.bool)
    missing[:, data.image_shape[0] // 2 :] = True
    missing = missing.reshape(len(images), -1)
    steps = 2 if short else 50
    labels = cases.test_labels[: len(images)]
    free, known = (complete(dbn, images, missing, steps=steps, generator=generator, labels=each).mean for each in (None, labels))
    seen = torch.where(missing, torch.nan, images)
    return image_grid(torch.cat([seen, free, known]).reshape(-1, *data.image_shape), columns=len(images), limits=(0, 1))


def _mistakes(dbn: DBN, data: Dataset, cases: Split) -> tuple[Figure, str]:
    """The surest of them."""
    p, predicted = label_log_probability(dbn, cases.test_images).exp().max(1)
    images = cases.test_images.reshape(-1, *data.image_shape)
    return mistakes(images, cases.test_labels, predicted, p), "the mistakes it was surest of, by the labels' free energies"
