"""The pictures and tables of a stack's report."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from harmonium.data import Dataset
from harmonium.learning import predict
from harmonium.models import DBN
from harmonium.recipes.shared.labelled_split import Split
from harmonium.recipes.shared.stack import layer_filters
from harmonium.report import (
    Section,
    before_after,
    confusion,
    fantasies,
    filters,
    learning_curves,
    mistakes,
    reconstructions,
)
from harmonium.runs.folder import Run
from harmonium.sampling import film

UP_DOWN = (
    " Wake and sleep errors are of stochastic layers that both change, and need not fall: up-down gives up some of one image's detail for "
    "dreams that look like images."
)


def one_of_each(cases: Split, classes: int) -> Tensor:
    """The first judged case of every class that occurs: (classes, pixels), from 0 to 1."""
    places = [int((cases.test_labels == label).nonzero()[0]) for label in range(classes) if bool((cases.test_labels == label).any())]
    return cases.test_images[places].float() / 255


@torch.no_grad()
def sections(run: Run, data: Dataset, cases: Split, dbn: DBN, nets: Mapping[str, nn.Sequential], nats: str) -> list[Section]:
    """The report's parts, pictures first."""
    start, generator = one_of_each(cases, data.classes), torch.Generator().manual_seed(run.settings["seed"])
    shown = film(dbn, len(start), start=start, frames=10, steps=100, generator=generator).reshape(len(start), 10, *data.image_shape)
    dreams = Section(
        "Fantasies",
        f"What the net believes in: alternating Gibbs sampling in the top RBM, one row per chain, each begun at a {cases.name} image of "
        "another class and then left to itself, and one top-down pass a frame. Pixels are shown as probabilities.",
        [(fantasies(shown, steps=range(100, 1001, 100)), "One row per chain, 100 sweeps between frames.")],
    )
    return [dreams, *learnt_sections(run, data, cases, dbn, nets, nats)]


@torch.no_grad()
def learnt_sections(run: Run, data: Dataset, cases: Split, dbn: DBN, nets: Mapping[str, nn.Sequential], nats: str) -> list[Section]:
    """What the layers of a stack have become, and the nets that were fine-tuned from it."""
    shape = data.image_shape
    seen = layer_filters(dbn)
    some = cases.test_images[:24].float() / 255
    reconstructed = dbn.down(dbn.top.visible_mean(dbn.top.hidden_mean(dbn.up(some))))
    curves = {phase: [{k: v for k, v in row.items() if k not in ("step", "seconds")} for row in h] for phase, h in run.histories().items()}
    parts = [
        Section(
            "Features",
            "What each hidden unit looks for: red where ink turns it on, blue where ink turns it off. In the bottom layer these are its "
            "weights; those of the layers above are projected to the pixels through the weights between, and show only what is linear in "
            "them. Look for strokes, their ends and edges, in many places. Salt and pepper would be a net that has learnt the cases by "
            "heart, or has hardly begun; many tiles alike, units that do the same work.",
            [
                (
                    filters(weights, shape, count=91),
                    f"Layer {index + 1}: the {min(91, weights.shape[1])} of {weights.shape[1]} units with the largest weights. Each tile "
                    "has its own scale.",
                )
                for index, weights in enumerate(seen)
            ],
        ),
        Section(
            "Reconstructions",
            f"{cases.name.capitalize()} images, and below each what comes back from the top layer, by means alone. It should be the same "
            "image with the accidents of the scan smoothed away. Another digit below an image, or the same grey cloud below all, would be "
            "a layer that lost what the next one needs.",
            [(reconstructions(some.reshape(-1, *shape), reconstructed.reshape(-1, *shape)), "Data above, reconstruction below.")],
        ),
        Section(
            "Learning",
            nats,
            [
                (
                    learning_curves(curves),
                    "Each phase against its epochs. Curves should fall or rise steeply and then flatten. Reconstruction error that grows "
                    "is a learning rate too high; update / weight much above 0.01 at the end, learning that has not settled. Layers "
                    "cannot be compared in nats, as each models other data."
                    + (UP_DOWN if any("wake_error" in row for rows in curves.values() for row in rows) else ""),
                )
            ],
        ),
    ]
    return [*parts, *(tuned_section(phase, net, data, cases, seen[0]) for phase, net in nets.items())]


def tuned_section(phase: str, net: nn.Sequential, data: Dataset, cases: Split, bottom: Tensor) -> Section:
    """A net after backpropagation: its errors, and how far its bottom features, (pixels, units) before, have moved."""
    probabilities = predict(net, cases.test_images).softmax(1)
    confidence, predicted = probabilities.max(1)
    counts = torch.zeros(data.classes, data.classes, dtype=torch.long)
    counts.index_put_((cases.test_labels, predicted), torch.ones(1, dtype=torch.long), accumulate=True)
    images = cases.test_images.reshape(-1, *data.image_shape)
    first = next(module for module in net if isinstance(module, nn.Linear))
    return Section(
        phase.capitalize(),
        "The stack with a softmax layer on top, all of it trained on the labels from where unlabelled learning had left it.",
        [
            (
                confusion(counts, range(data.classes)),
                f"{cases.name.capitalize()} cases, the true class by row and the predicted one by column. Errors should be few and "
                "between digits that look alike, as 4 and 9; a whole column of them would be a class that draws in the others.",
            ),
            (
                mistakes(images, cases.test_labels, predicted, confidence),
                "The mistakes that it was surest of: true class, predicted class, and the probability that it gave. Most should be "
                "images that one hesitates over oneself.",
            ),
            (
                before_after(bottom, first.weight.detach().T, data.image_shape),
                "The bottom units that backpropagation changed most, each with its own scale, and by how much. The difference "
                "should be pale: fine-tuning moves features a little, and the features themselves came from unlabelled images.",
            ),
        ],
    )
