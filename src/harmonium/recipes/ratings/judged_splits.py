"""Each split of each set: what the baselines and the machines err on the ratings that are held out."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev

from torch import Tensor

from harmonium.data.rating_table import Ratings
from harmonium.files import read_tensors, write_tensors
from harmonium.recipes.ratings.bias_and_factors import Factorisation, baselines
from harmonium.recipes.ratings.compared_machines import Machine, Watch, learn_and_predict, mae, rmse
from harmonium.runs.contract import Metric
from harmonium.runs.folder import METRICS, Run
from harmonium.runs.metrics_file import append_row, read_rows, rewrite_rows
from harmonium.seeds import derive

Row = Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Compared:
    """A set of ratings, and what is compared on it. The first machine is the set's own; others differ in what they are named for."""

    name: str
    machines: Mapping[str, Machine]
    factorisation: Factorisation

    @property
    def word(self) -> str:
        """What metrics' names end with."""
        return self.name.replace("-", "_")


def judge(run: Run, compared: Compared, table: Ratings, split: int, seed: int, *, choosing: bool, device: str) -> dict[str, float]:
    """RMSE and MAE of everything that is compared, on a tenth of the ratings; what the run has of it is not done again.

    Parameters
    ----------
    run, compared
        The folder of the run, and the set.
    table
        All its ratings.
    split, seed
        The number of the split, and the seed of splits and machines.
    choosing
        Whether to judge on a tenth of the ratings that are learnt from otherwise, for choosing settings.
    device
        Where machines learn. The baselines are solved on the CPU.
    """
    learnt, judged = parts(table, split, seed, choosing=choosing)
    found: dict[str, float] = {}
    path = run.checkpoint(f"{compared.name} split {split} baselines")
    if not path.exists():
        predicted = baselines(learnt, judged, compared.factorisation, derive(seed, 2, split))
        write_tensors(path, {}, {"row": errors(predicted, judged)})
    found |= read_tensors(path)[1]["row"]
    for name, how in compared.machines.items():
        path = machine_path(run, compared, split, name)
        if not path.exists():
            watch = logged(run, f"{compared.name} split {split} {name}")
            machine, each = learn_and_predict(how, learnt, judged, derive(seed, 3, split), watch, device=device, precision=run.precision)
            row = errors({name: each.mean, f"{name}_mode": each.mode, f"{name}_contrastive": each.contrastive}, judged)
            write_tensors(path, {key: value.detach().cpu() for key, value in machine.state_dict().items()}, {"row": row})
        found |= read_tensors(path)[1]["row"]
    return found


def parts(table: Ratings, split: int, seed: int, *, choosing: bool) -> tuple[Ratings, Ratings]:
    """What is learnt from and what is judged in a split, as for `judge`."""
    learnt, judged = table.split(derive(seed, 0, split))
    return learnt.split(derive(seed, 1, split)) if choosing else (learnt, judged)


def machine_path(run: Run, compared: Compared, split: int, name: str) -> Path:
    """Where a machine that has learnt is kept, with its errors."""
    return run.checkpoint(f"{compared.name} split {split} {name.replace('_', ' ')}")


def errors(predicted: Mapping[str, Tensor], judged: Ratings) -> dict[str, float]:
    """RMSE and MAE of each, by name."""
    found = {f"rmse_{name}": rmse(each, judged.values) for name, each in predicted.items()}
    return found | {f"mae_{name}": mae(each, judged.values) for name, each in predicted.items()}


def logged(run: Run, phase: str) -> Watch:
    """A `Watch` that appends a row of each epoch to the metrics; rows of a learning that was interrupted are dropped."""
    path = run.folder / METRICS
    rewrite_rows(path, [row for row in read_rows(path) if row["phase"] != phase])
    epochs = 0

    def watch(part: str, epoch: int, seconds: float, loss: float, error: float) -> None:
        nonlocal epochs
        epochs += 1
        figures = {"contrastive_loss" if part.startswith("contrastive") else "loss": loss, "rmse": error}
        append_row(path, {"phase": phase, "epoch": epochs, "seconds": seconds, **figures})

    return watch


def metrics(compared: Compared, rows: Sequence[Row], unit: str, part: str) -> list[Metric]:
    """Means over the splits, standard errors where there are several, and what the set's own machine is better by, in percent.

    Parameters
    ----------
    compared, rows
        The set, and the errors in each of its splits.
    unit
        Of a rating.
    part
        What the names of figures of ratings that settings are chosen by begin with; "" for those that are held out.
    """
    own = next(iter(compared.machines))
    found: list[Metric] = []
    for key in rows[0]:
        kind, name = key.split("_", 1)
        word = "_".join(filter(None, (part, kind, name.removeprefix(own).lstrip("_"), compared.word)))
        found += _mean(word, [row[key] for row in rows], unit)
    for other in (each for each in ("bias", "mf", *compared.machines) if each != own):
        gains = [100 * (1 - row[f"rmse_{own}"] / row[f"rmse_{other}"]) for row in rows]
        found += _mean("_".join(filter(None, (part, "percent_better_than", other, compared.word))), gains, "%")
    return found


def _mean(name: str, values: Sequence[float], unit: str) -> list[Metric]:
    found = [(name, fmean(values), unit)]
    return found if len(values) < 2 else [*found, (f"{name}_standard_error", stdev(values) / math.sqrt(len(values)), unit)]
