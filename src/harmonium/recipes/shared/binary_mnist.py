"""One model of MNIST's binary images: its data, its fantasies and its report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from harmonium.data import binarise, mnist
from harmonium.models import DBM, DBN, RBM, Generative
from harmonium.report import Section, fantasies, learning_curves, page
from harmonium.runs.folder import SAMPLES, Run
from harmonium.runs.report_page import write_run_report
from harmonium.sampling import film


def grey_images(data_dir: Path | None, *, held_out: int, smoke: bool, device: str) -> tuple[Tensor, Tensor]:
    """Grey images to learn from, and those to be judged on: (cases, 784) uint8.

    Parameters
    ----------
    data_dir
        Where the four original files are, if not in $HARMONIUM_DATA or the cache.
    held_out
        Judge on this many training cases, which are then not learnt from; 0 for the test set.
    smoke
        A few images alone.
    device
        Where they are put.
    """
    data = mnist.load(data_dir)
    images, judged = data.train_images, data.test_images
    if held_out:
        images, _, judged, _ = data.hold_out(held_out)
    images, judged = (images[:400], judged[:200]) if smoke else (images, judged)
    return images.to(device), judged.to(device)


def judged_on(held_out: int) -> str:
    """What metrics call the images that a model is judged on."""
    return "validation" if held_out else "test"


def draw_fantasies(model: Generative, *, steps: int, seed: int) -> Figure:
    """Ten free chains, begun at draws from the units' own biases, one row per chain; ten frames, `steps` sweeps apart."""
    generator = torch.Generator().manual_seed(seed)
    shown = film(model, 10, frames=10, steps=steps, generator=generator).reshape(10, 10, 28, 28)
    return fantasies(shown, steps=range(steps, 10 * steps + 1, steps))


def draw_samples(run: Run, model: Generative, *, steps: int, seed: int) -> Path:
    """The same, drawn into samples.png; says where it is."""
    path = run.folder / SAMPLES
    draw_fantasies(model, steps=steps, seed=seed).savefig(path, dpi=110)
    return path


def draw_page(model: RBM | DBN | DBM, path: Path, *, data_dir: Path | None, held_out: int, title: str) -> Path:
    """The model's interactive page, with judged digits whose pixels are on or off; says where it is.

    Parameters
    ----------
    model
        As far as the run has learnt it.
    path
        The HTML file.
    data_dir, held_out
        As `grey_images` takes them.
    title
        The page's heading.
    """
    data = mnist.load(data_dir)
    images, labels = data.hold_out(held_out)[2:] if held_out else (data.test_images, data.test_labels)
    return page(model, path, images=binarise(images, "threshold"), labels=labels, shape=data.image_shape, title=title)


def draw_report(
    run: Run,
    model: Generative,
    summary: str,
    *,
    features: Sequence[tuple[Figure, str]],
    finished: Sequence[Section] = (),
    smoke: bool = False,
) -> None:
    """report.html of a finished or unfinished run.

    Parameters
    ----------
    run
        The folder of the run.
    model
        As far as the run has learnt it.
    summary
        What the model is and how it was learnt, without a full stop.
    features
        Pictures of what its units have learnt, with their captions.
    finished
        What a finished run's report begins with, before how good the model is.
    smoke
        Chains of a few sweeps.
    """
    steps = 10 if smoke else 1000
    judged = [*finished, Section("How good is it?", run.results()["likelihood"])] if run.finished else []
    free = draw_fantasies(model, steps=steps, seed=run.settings["seed"])
    write_run_report(
        run,
        summary=summary,
        sections=[
            *judged,
            Section(
                "Fantasies",
                "Free chains of Gibbs sampling, begun at draws from the units' own biases, one row per chain. "
                "Pixels are shown as probabilities.",
                [(free, f"a frame every {steps} sweeps")],
            ),
            Section("Features", "", list(features)),
            Section("Learning", "", [(learning_curves(run.histories()), "the figures of each epoch")]),
        ],
    )
