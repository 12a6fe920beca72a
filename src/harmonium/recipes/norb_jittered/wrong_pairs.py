"""The figures of the nets: errors, and by how much binary units err more than rectified ones on the same pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from harmonium.files import read_tensors
from harmonium.recipes.norb_jittered.tuned_nets import STARTS
from harmonium.recipes.shared.feature_layers import Kind
from harmonium.recipes.shared.mcnemar import mcnemar
from harmonium.runs.contract import Metric
from harmonium.runs.folder import Run

KINDS: tuple[Kind, ...] = ("rectified", "binary")
Wrong = Mapping[str, Tensor]  # by kind and start, (pairs,) bool: which are taken for another category


def metrics(wrong: Wrong, part: str) -> list[Metric]:
    """Every error, then of each start the difference between the kinds with its standard error, and McNemar's p.

    Parameters
    ----------
    wrong
        Of all nets.
    part
        What the metrics' names begin with.
    """
    found: list[Metric] = []
    for name in (f"{kind}_{start}" for kind in KINDS for start in STARTS):
        error, of_error = percent(wrong[name])
        found += [(f"{part}_error_percent_{name}", error, "%"), (f"{part}_error_standard_error_{name}", of_error, "%")]
    for start in STARTS:
        rectified, binary = (wrong[f"{kind}_{start}"] for kind in KINDS)
        more, of_more = percent(binary.double() - rectified.double())
        words = f"{part}_binary_less_rectified_{start}"
        found += [(words, more, "percentage points"), (f"{words}_standard_error", of_more, "percentage points")]
        found.append((f"{part}_mcnemar_p_{start}", mcnemar(rectified, binary), ""))
    return found


def percent(values: Tensor) -> tuple[float, float]:
    """The mean of values of pairs and its standard error, as if pairs were independent, in percent."""
    values = values.double()
    return 100 * values.mean().item(), 100 * values.std().item() / math.sqrt(len(values))


def judged_path(run: Run, name: str) -> Path:
    """Where a run keeps what a net had wrong."""
    return run.checkpoint(f"{name} judged")


def read_wrong(run: Run, name: str) -> Tensor:
    """What a net had wrong, (pairs,) bool."""
    return read_tensors(judged_path(run, name))[0]["wrong"]


def judged_so_far(run: Run) -> dict[str, Tensor]:
    """The same of every net that was judged so far."""
    names = (f"{kind}_{start}" for kind in KINDS for start in STARTS)
    return {name: read_wrong(run, name) for name in names if judged_path(run, name).exists()}
