"""Random search with successive halving over the settings of a training."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from torch import nn

from harmonium.learning.loop.progress import Progress
from harmonium.learning.search_trials import TRAINED, Score, Space, Trial, default_score, drawn, groups_of, report, rungs_of
from harmonium.learning.search_trials import check as check_search
from harmonium.seeds import derive


@dataclass(frozen=True)
class SearchResult:
    """What `hm.search` found.

    Parameters
    ----------
    trials : list of Trial
        All trials, the best first: those that were trained longest come first, and among these those with the lowest score.
    """

    trials: list[Trial] = field(repr=False)

    @property
    def best(self) -> Trial:
        """The best trial."""
        return self.trials[0]

    @property
    def model(self) -> Any:
        """The best trial's model, as an ordinary one."""
        return self.best.model

    @property
    def settings(self) -> dict[str, Any]:
        """The best trial's settings."""
        return self.best.settings

    @property
    def table(self) -> list[dict[str, Any]]:
        """One row per trial: its settings, the epochs that it was trained, and its score after them."""
        return [{**trial.settings, "seed": trial.seed, "epochs": trial.epochs, "score": trial.score} for trial in self.trials]

    def __str__(self) -> str:
        names = list(self.table[0])
        cells = [names, *([f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values()] for row in self.table)]
        widths = [max(len(row[column]) for row in cells) for column in range(len(names))]
        return "\n".join("  ".join(word.rjust(width) for word, width in zip(row, widths, strict=True)) for row in cells)


def search(
    make: Callable[..., nn.Module],
    space: Space,
    data: Any,
    validation: Any,
    *,
    trials: int = 27,
    epochs: int = 27,
    keep: float = 1 / 3,
    score: Score | None = None,
    seed: int = 0,
    progress: bool | None = None,
    **settings: Any,
) -> SearchResult:
    """Search settings at random, train all trials a little, and train on only the best of them (successive halving).

    Trials of one architecture are trained together, as `Replicas`.

    Parameters
    ----------
    make : callable
        `make(seed, **own)` -> a model: an RBM, which `fit` trains, or a net, which `fine_tune` trains. `own` are the settings of the space
        other than "lr", "momentum" and "weight_cost".
    space : dict
        Of each setting's name, a sequence of choices, `Uniform(low, high)` or `LogUniform(low, high)`. "lr", "momentum" and "weight_cost"
        are those of the training.
    data, validation : Tensor or tuple of Tensor
        The cases to learn from, and those to judge by: rows for an RBM, (inputs, targets) for a net.
    trials : int, default 27
        Number of settings that are tried.
    epochs : int, default 27
        Number of epochs of the trials that are kept to the end.
    keep : float, default 1/3
        The share of trials that is kept at each rung, and by which earlier rungs are shorter: above 0 and below 1.
    score : callable, optional
        (model, validation) -> a number, lower is better. By default, for RBMs, minus the mean log-likelihood of the held-out cases in nats
        (log Z is exact if a layer has at most 15 binary units, and by AIS otherwise); for nets the mean loss of the held-out cases.
    seed : int, default 0
        Seed of the settings that are drawn, the models and their training.
    progress : bool, optional
        Show the best of each rung; by default only on a terminal.
    **settings
        Arguments of `fit` or `fine_tune` for all trials, such as `batch_size` and `negative`.

    Returns
    -------
    SearchResult
        `best`, `model`, `settings` and `table`.

    Raises
    ------
    ValueError
        For an empty space, for fewer than one trial or epoch, or for settings that the search itself makes.

    Notes
    -----
    Successive halving: Jamieson & Talwalkar (2016), arXiv:1502.07943. Random search: Bergstra & Bengio (2012). A trial that diverges scores
    worst. The score chooses among many trials, so that of the best one is too good: judge the model on other data.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rows = torch.eye(6).repeat(5, 1)
    >>> space = {"lr": hm.learning.LogUniform(1e-3, 1.0), "momentum": [0.0, 0.5, 0.9]}
    >>> make = lambda seed: hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), seed=seed)
    >>> found = hm.search(make, space, rows, rows, trials=4, epochs=2, keep=0.5, progress=False)
    >>> len(found.trials), found.best.epochs
    (4, 2)
    """
    check_search(space, trials, epochs, keep, settings)
    found = [Trial(drawn(space, np.random.default_rng(derive(seed, number))), derive(seed, number, 1)) for number in range(trials)]
    for trial in found:
        own = {name: value for name, value in trial.settings.items() if name not in TRAINED}
        trial.model = make(trial.seed, **own)
    judge = partial(default_score, settings) if score is None else score
    shown = Progress.wanted() if progress is None else progress
    alive = groups_of(found)
    rungs = rungs_of(trials, epochs, keep)
    for number, length in enumerate(rungs):
        for group in alive:
            group.train(data, length, settings, shown)
            group.judge(judge, validation, length)
        ranked = sorted((trial for group in alive for trial in group.trials), key=lambda trial: trial.score)
        if shown:
            report(number, len(rungs), ranked)
        if number + 1 < len(rungs):
            kept = ranked[: math.ceil(len(ranked) * keep - 1e-9)]
            alive = [group for group in (group.chosen(kept) for group in alive) if group is not None]
        if not alive:  # all have diverged
            break
    return SearchResult(sorted(found, key=lambda trial: (-trial.epochs, trial.score)))
