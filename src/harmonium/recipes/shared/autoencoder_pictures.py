"""The pictures of an autoencoder's report: reconstructions side by side, the map of two numbers, and how it learnt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from torch import Tensor, nn

from harmonium.data import Dataset
from harmonium.learning import predict
from harmonium.recipes.shared.compared_autoencoders import Baseline
from harmonium.recipes.shared.deep_autoencoder import Learnt, values
from harmonium.recipes.shared.labelled_split import Split
from harmonium.report import Section, learning_curves
from harmonium.report.style import INK, LABEL, SMALL, WIDTH, page, quiet
from harmonium.report.tiles import draw
from harmonium.runs.folder import Run
from harmonium.runs.report_page import write_run_report

SHOWN = 14  # images with their reconstructions


def draw_report(
    run: Run,
    images: str,
    data: Dataset,
    cases: Split,
    learnt: Learnt,
    baselines: Sequence[Baseline],
    as_grey: Callable[[Tensor], Tensor] | None = None,
) -> None:
    """report.html of a finished run.

    Parameters
    ----------
    run
        The folder of the run.
    images
        What the images are of, in the plural.
    data, cases
        The images.
    learnt, baselines
        What is judged.
    as_grey
        Grey levels from 0 to 1 of images that are real numbers, (..., pixels) each.
    """
    units = [module.out_features for module in learnt.tuned.encoder.children() if isinstance(module, nn.Linear)]
    write_run_report(
        run,
        summary=f"A deep autoencoder {'-'.join(map(str, (cases.images.shape[1], *units)))}, learnt from {len(cases.images):,} images of "
        f"{images} one layer at a time, unrolled, and fine-tuned to reconstruct them",
        sections=sections(run, data, cases, learnt, baselines, as_grey),
    )


def draw_unfinished(run: Run, images: str) -> None:
    """report.html of a run that is learning, or was stopped."""
    curves = Section("Learning", "", [(learning_curves(run.histories()), "each phase against its epochs")])
    write_run_report(run, summary=f"A deep autoencoder of {images}", sections=[curves])


@torch.no_grad()
def sections(
    run: Run,
    data: Dataset,
    cases: Split,
    learnt: Learnt,
    baselines: Sequence[Baseline],
    as_grey: Callable[[Tensor], Tensor] | None = None,
) -> list[Section]:
    """The report's parts. Parameters are those of `draw_report`."""
    size, plane = learnt.tuned.decoder.get_submodule("0").in_features, learnt.map
    some = cases.test_images[:SHOWN]
    rows = {f"{cases.name} image": values(some), f"autoencoder, {size}": learnt.tuned.reconstruct(some).cpu()}
    if learnt.random is not None:
        rows[f"random start, {size}"] = learnt.random.reconstruct(some).cpu()
    rows |= {each.label: each.made[:SHOWN] for each in baselines}
    if plane is not None:
        rows["autoencoder, 2"] = plane.reconstruct(some).cpu()
    sheet = torch.stack([row.float() for row in rows.values()])
    tiles = (sheet if as_grey is None else as_grey(sheet)).clamp(0, 1).reshape(*sheet.shape[:2], *data.image_shape)
    parts = [
        Section(
            "Reconstructions",
            f"{cases.name.capitalize()} images, none of them learnt from, and what comes back from the numbers that each model keeps of an "
            "image. The autoencoder should give back sharp edges; PCA is a blur with shadows beside them, since it can only add and take "
            "away the same few images.",
            [(draw(tiles.double().numpy(), limits=(0, 1), row_labels=list(rows)), "Each row says how many numbers a code has.")],
        )
    ]
    if plane is not None:
        codes = predict(plane.encoder, cases.test_images).cpu()
        parts.append(
            Section(
                "A map of digits",
                f"The codes of {len(codes):,} {cases.name} images in an autoencoder whose code is two numbers, in the colours of their "
                "classes, which it never saw, beside the first two principal components of the same images.",
                [
                    (
                        maps({"autoencoder": codes, "PCA": components(cases)}, cases.test_labels),
                        "A dot for each image; a digit stands at the median of its class.",
                    )
                ],
            )
        )
    curves = {phase: [{k: v for k, v in row.items() if k not in ("step", "seconds")} for row in h] for phase, h in run.histories().items()}
    words = (
        "The loss of fine-tuning is an image's squared error."
        if cases.images.is_floating_point()
        else "The loss of fine-tuning is the cross-entropy of an image's grey levels, in nats, which has the entropy of these as its floor."
    )
    return [*parts, Section("Learning", words, [(learning_curves(curves), "Each phase against its epochs.")])]


def components(cases: Split) -> Tensor:
    """The first two principal components of the judged images: (cases, 2)."""
    x, seen = (values(images) for images in (cases.test_images, cases.images))
    centred = seen - seen.mean(0)
    axes: Tensor = torch.linalg.eigh(centred.T @ centred)[1][:, -2:].flip(1)
    return (x - seen.mean(0)) @ axes


def maps(panels: Mapping[str, Tensor], labels: Tensor) -> Figure:
    """Codes of two numbers, (cases, 2), one panel per model, in the colours of the classes, (cases,)."""
    figure, _ = page(WIDTH, 4.6, None)
    figure.set_layout_engine("constrained")
    classes, palette = sorted(set(labels.tolist())), colormaps["tab10"]
    for axes, (name, codes) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        low, high = np.quantile(codes.numpy(), [0.002, 0.998], axis=0)
        for label in classes:
            own = codes[labels == label].numpy()
            axes.scatter(*own.T, s=2, color=palette(label % 10), alpha=0.6, linewidths=0)
        for label in classes:
            middle = np.median(codes[labels == label].numpy(), axis=0)
            box = {"facecolor": "white", "edgecolor": palette(label % 10), "boxstyle": "round,pad=0.2", "linewidth": 1.0}
            axes.text(*middle, str(label), fontsize=LABEL, color=INK, ha="center", va="center", bbox=box)
        room = np.maximum((high - low) * 0.04, 1e-6)
        axes.set_xlim(low[0] - room[0], high[0] + room[0])
        axes.set_ylim(low[1] - room[1], high[1] + room[1])
        axes.set_title(name, loc="left", fontsize=LABEL, color=INK)
        axes.tick_params(labelsize=SMALL)
        quiet(axes)
    return figure
