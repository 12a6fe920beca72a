"""The report of the demo: the classes on demand, and the net beside simple models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from harmonium.data import Dataset
from harmonium.models import DBN
from harmonium.recipes.digits.baselines import Baselines
from harmonium.recipes.shared.fine_tuned_stack import Learnt
from harmonium.recipes.shared.labelled_split import Split
from harmonium.recipes.shared.stack_pictures import learnt_sections, one_of_each
from harmonium.report import Headline, Section, fantasies
from harmonium.runs.folder import Run
from harmonium.sampling import film


def summary(stack: DBN, cases: Split) -> str:
    """What a run does, without a full stop."""
    units = "-".join(str(size) for size in (cases.images.shape[1], *(rbm.hidden.shape[0] for rbm in stack.rbms)))
    return (
        f"The demo. A deep belief net ({units} units) learns features from {len(cases.images):,} images of handwritten digits, one layer "
        "at a time and without labels; backpropagation then fine-tunes it to classify. A second net with the same lower layers learns "
        "images and labels together, and generates any class on demand"
    )


def headline(results: Mapping[str, Any], cases: Split) -> list[Headline]:
    """The three figures at the top."""
    shown = {
        f"{cases.name}_error_percent": f"{cases.name} images classified wrongly, fine-tuned net",
        f"logistic_regression_{cases.name}_error_percent": "the same by logistic regression, for comparison",
        "fantasies_recognised_percent": "fantasies that logistic regression takes for the class asked for",
    }
    found = results["metrics"]
    return [
        Headline(words, None, round(found[name]["value"], 1), found[name]["unit"], "") for name, words in shown.items() if name in found
    ]


def sections(
    run: Run,
    data: Dataset,
    cases: Split,
    learnt: Learnt,
    results: Mapping[str, Any] | None,
    simple: Baselines,
    on_demand: Tensor | None,
    *,
    seed: int,
) -> list[Section]:
    """The parts, in the order of interest. `on_demand`: (classes, chains, height, width), of a net with labels."""
    parts = []
    if on_demand is not None:
        recognised = (results or {"metrics": {}})["metrics"].get("fantasies_recognised_percent")
        judged = (
            f" Logistic regression, which has seen real digits alone, takes {recognised['value']:.0f} % of 200 such images for the class "
            "asked for; it would be right once in ten if they showed nothing of it."
            if recognised
            else ""
        )
        parts.append(
            Section(
                "Every class on demand",
                "The second net was given a label and asked for an image of it. Its top RBM starts at random states, and Gibbs sampling "
                "alternates between its two layers with the label held fixed; then one pass goes down to the pixels, shown as "
                f"probabilities.{judged}",
                [
                    (
                        fantasies(on_demand, limits=(0, 1), row="class", rows=range(len(on_demand))),
                        "One row per class, each tile a chain of its own after 1,000 sweeps. You should read the digit of the row, written "
                        "in different hands. Twelve copies of one image would be a chain that does not mix; other digits in a row, a label "
                        "that the net does not heed; grey clouds, a net that has not learnt how pixels go together.",
                    )
                ],
            )
        )
    parts.append(_dreams(data, cases, learnt.generating, seed))
    if results is not None:
        parts += [_recognition(cases, results["metrics"], simple), _likelihood(cases, results["metrics"], simple)]
    nats = results["likelihood"] if results else ""
    return [*parts, *learnt_sections(run, data, cases, learnt.stack, learnt.nets, nats)]


def _dreams(data: Dataset, cases: Split, net: DBN, seed: int) -> Section:
    start, generator = one_of_each(cases, data.classes), torch.Generator().manual_seed(seed)
    shown = film(net, len(start), start=start, frames=10, steps=20, generator=generator).reshape(len(start), 10, *data.image_shape)
    return Section(
        "Left to itself",
        f"The same sampling with no label held: each chain begins at a {cases.name} image of another class and wanders. A frame is one "
        "stochastic pass down from the top RBM, so that it is noisier than the images above.",
        [
            (
                fantasies(shown, steps=range(20, 201, 20), limits=(0, 1)),
                "One row per chain, 20 sweeps between frames. You should see digits, and rows that change from one class to another: the "
                "chain crosses from mode to mode. A row that keeps its first image would be a chain that is stuck.",
            )
        ],
    )


def _recognition(cases: Split, found: Mapping[str, Any], simple: Baselines) -> Section:
    judged = len(cases.test_labels)

    def row(model: str, learns: str, error: float) -> dict[str, object]:
        return {"model": model, "learns from": learns, "error (%)": round(error, 1), f"wrong of {judged}": round(error * judged / 100)}

    rows = [row("this net, fine-tuned", "images, then labels", found[f"{cases.name}_error_percent"]["value"])]
    if (generative := found.get(f"generative_{cases.name}_error_percent")) is not None:
        rows.append(row("the net that generates: the label of least free energy", "images with labels", generative["value"]))
    rows += [
        row("baseline: logistic regression on grey levels (scikit-learn)", "images with labels", simple.logistic_regression),
        row("baseline: naive Bayes, independent pixels in a class (scikit-learn)", "images with labels", simple.naive_bayes),
        row("baseline: always the most frequent class", "labels", simple.most_frequent),
    ]
    error = max(0.5, 100 * (found[f"{cases.name}_error_percent"]["value"] / 100 / judged) ** 0.5)
    return Section(
        "Recognition beside simple methods",
        f"All learn from the same {len(cases.labels):,} images and are judged on the same {judged}. The standard error of a percentage "
        f"here is about {error:.1f}: a difference of one or two images says nothing. A net worse than logistic regression would have lost "
        "in its layers what the pixels say.",
        table=rows,
    )


def _likelihood(cases: Split, found: Mapping[str, Any], simple: Baselines) -> Section:
    ours = found[f"bottom_rbm_{cases.name}_nats_fixed_stochastic"]
    rows: list[dict[str, object]] = [
        {"model": "the bottom RBM, the lowest of several estimates", "nats an image": round(ours["value"], 2), "verdict": ours["verdict"]},
        {"model": "baseline: independent pixels in each class", "nats an image": round(simple.class_pixels, 2), "verdict": "exact"},
        {"model": "baseline: independent pixels", "nats an image": round(simple.independent_pixels, 2), "verdict": "exact"},
    ]
    return Section(
        "Likelihood beside simple models",
        f"The mean log-probability of a {cases.name} image whose pixels are drawn once from their grey levels: nearer to zero is better. "
        "The RBM learns without labels. It should lie well above independent pixels, and near the pixels that are independent within each "
        "class: its CD-1 learns features and does not aim at likelihood (the recipe mnist-rbm does). A figure above that of the training "
        "images would be an estimate gone wrong; the verdict says how far to trust it, and the section on learning why.",
        table=rows,
    )
