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


def one_of_each(cases: Split, classes: int) -> Tensor:
    """The first judged case of every class that occurs: (classes, pixels), from 0 to 1."""
    places = [int((cases.test_labels == label).nonzero()[0]) for label in range(classes) if bool((cases.test_labels == label).any())]
    return cases.test_images[places].float() / 255


@torch.no_grad()
def sections(run: Run, data: Dataset, cases: Split, dbn: DBN, nets: Mapping[str, nn.Sequential], nats: str) -> list[Section]:
    """The report's parts, pictures first."""
    shape = data.image_shape
    seen = layer_filters(dbn)
    some = cases.test_images[:24].float() / 255
    reconstructed = dbn.down(dbn.top.visible_mean(dbn.top.hidden_mean(dbn.up(some))))
    start, generator = one_of_each(cases, data.classes), torch.Generator().manual_seed(run.settings["seed"])
    shown = film(dbn, len(start), start=start, frames=10, steps=100, generator=generator).reshape(len(start), 10, *shape)
    curves = {phase: [{k: v for k, v in row.items() if k not in ("step", "seconds")} for row in h] for phase, h in run.histories().items()}
    parts = [
        Section(
            "Fantasies",
            f"What the net believes in: alternating Gibbs sampling in the top RBM, a row a chain, each begun at a {cases.name} image of "
            "another class and then left to itself, and one top-down pass a frame. Pixels are shown as probabilities.",
            [(fantasies(shown, steps=range(100, 1001, 100)), "one chain a row, 100 sweeps between frames")],
        ),
        Section(
            "Features",
            "First the receptive fields of the bottom layer; then those of the layers above it, projected to the pixels through the "
            "weights between.",
            [
                (
                    filters(weights, shape, count=91),
                    f"layer {index + 1}: the {min(91, weights.shape[1])} of {weights.shape[1]} units with the largest weights",
                )
                for index, weights in enumerate(seen)
            ],
        ),
        Section(
            "Reconstructions",
            f"{cases.name.capitalize()} images above, below each what comes back from the top layer by means alone.",
            [(reconstructions(some.reshape(-1, *shape), reconstructed.reshape(-1, *shape)), "data and reconstruction")],
        ),
        Section("Learning", nats, [(learning_curves(curves), "the figures of each phase against its epochs")]),
    ]
    for phase, net in nets.items():
        probabilities = predict(net, cases.test_images).softmax(1)
        confidence, predicted = probabilities.max(1)
        counts = torch.zeros(data.classes, data.classes, dtype=torch.long)
        counts.index_put_((cases.test_labels, predicted), torch.ones(1, dtype=torch.long), accumulate=True)
        images = cases.test_images.reshape(-1, *shape)
        first = next(module for module in net if isinstance(module, nn.Linear))
        parts.append(
            Section(
                phase.capitalize(),
                "",
                [
                    (confusion(counts, range(data.classes)), f"{cases.name} cases: the true class by row, the predicted one by column"),
                    (mistakes(images, cases.test_labels, predicted, confidence), "the mistakes it was surest of"),
                    (before_after(seen[0], first.weight.detach().T, shape), "the bottom units that backpropagation changed most"),
                ],
            )
        )
    return parts
