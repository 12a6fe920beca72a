"""What a recipe is: one published result, as a dataclass of what can be chosen and the steps that reproduce it."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from harmonium.runs.folder import REPORT, RESULTS, Run
from harmonium.runs.options import OF_THE_RUN, Options
from harmonium.runs.provenance import command

if TYPE_CHECKING:
    from harmonium.likelihood import Evaluation

Metric = tuple[str, float, str]  # name, value, unit


@dataclasses.dataclass(frozen=True)
class Recipe(Options, ABC):
    """One published result.

    A recipe is a frozen dataclass that inherits from this class and from nothing else. Its fields, with those of `Options`, are the options
    of a run, and become the command line. `run` and `report` are its steps. Every other step is a function.
    """

    name: ClassVar[str]
    """The name of its runs and of its file in results/."""
    paper: ClassVar[str]
    """The publication."""
    published: ClassVar[Mapping[str, str]]
    """The published values, by metric name, as text. Metrics without a published value are left out."""
    headline_metrics: ClassVar[tuple[str, ...]]
    """The metrics in the table of all recipes. A recipe's own page shows every metric."""

    @abstractmethod
    def run(self, run: Run) -> dict[str, Any]:
        """All steps, each from its checkpoint where there is one.

        Parameters
        ----------
        run
            The folder of the run. A step that asks it for `callbacks` and a `checkpoint` under a phase's name shows its progress, and
            goes on where it stopped. `run.precision` is the precision of every training.

        Returns
        -------
        dict
            The results, written by `self.results`.
        """

    @abstractmethod
    def report(self, run: Run) -> None:
        """Draws report.html of a finished or unfinished run."""

    def likelihood(self, run: Run, *, betas: int, chains: int, sweeps: int) -> Evaluation:
        """The likelihood of the run's model.

        Parameters
        ----------
        run
            The folder of the run.
        betas
            Number of inverse temperatures of annealed importance sampling, where log Z is estimated.
        chains
            Number of annealing chains, and of tempered chains.
        sweeps
            Number of sweeps of the tempered chains.

        Raises
        ------
        ValueError
            Where the run has no single model.
        """
        raise ValueError(f"{self.name} is no run of one model, which could be evaluated: its figures are in {run.folder / REPORT}")

    def sample(self, run: Run, *, steps: int, seed: int) -> Path:
        """Draws samples of the run's model into samples.png.

        Parameters
        ----------
        run
            The folder of the run.
        steps
            Number of Gibbs sweeps of each chain.
        seed
            The seed of all draws.

        Returns
        -------
        Path
            The picture.

        Raises
        ------
        ValueError
            Where the run has no single model.
        """
        raise ValueError(f"{self.name} is no run of one model, which could be sampled: its pictures are in {run.folder / REPORT}")

    def page(self, run: Run, path: Path) -> Path:
        """Writes the run's model as an interactive page.

        Parameters
        ----------
        run
            The folder of the run.
        path
            The HTML file.

        Returns
        -------
        Path
            The page.

        Raises
        ------
        ValueError
            Where the run has no single model.
        """
        raise ValueError(f"{self.name} is no run of one model, which could be a page: its pictures are in {run.folder / REPORT}")

    @classmethod
    def shown(cls, record: Mapping[str, Any]) -> bool:
        """Whether tables show a record."""
        return True

    def results(
        self,
        run: Run,
        setting: str,
        metrics: Sequence[Metric],
        verdicts: Mapping[str, tuple[str, str]] = MappingProxyType({}),
        **more: object,
    ) -> dict[str, Any]:
        """The outcome of a run, written to results.json.

        Parameters
        ----------
        run
            The folder of the run.
        setting
            What the records call these options: "full", "quick", "smoke" ... A precision other than float32 is added to it.
        metrics
            (name, value, unit) of each.
        verdicts
            How far to trust the likelihoods among the metrics, in a word and in a sentence.
        **more
            Kept beside.
        """
        found: dict[str, dict[str, Any]] = {}
        for name, value, unit in metrics:
            found[name] = {"published": self.published.get(name), "value": value, "unit": unit}
            if name in verdicts:
                found[name] |= dict(zip(("verdict", "trust"), verdicts[name], strict=True))
        results = {
            "recipe": run.recipe,
            "paper": self.paper,
            "setting": setting if run.precision == "float32" else f"{setting}, {run.precision}",
            "seed": self.seed,
            "metrics": found,
            "seconds": round(run.training_seconds, 1),
            "machine": f"{run.machines}, {self.threads} thread{'s' if self.threads > 1 else ''}",
            "settings": {name: value for name, value in run.settings.items() if name not in OF_THE_RUN},
            "commit": ", ".join(run.commits),
            "defaults_changed": run.defaults_changed,
            "command": command(),
            **more,
        }
        run.write(RESULTS, results)
        return results
