"""What every recipe is."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import harmonium.runs.folder as runs
from harmonium.likelihood import Evaluation
from harmonium.runs.folder import Options, Run
from harmonium.report import Headline


@dataclasses.dataclass(frozen=True)
class Recipe(Options, ABC):
    """One published result: a dataclass of what can be chosen, and the steps."""

    name: ClassVar[str]
    paper: ClassVar[str]
    published: ClassVar[dict[str, str]]
    """Of some metrics, in words."""
    headline_metrics: ClassVar[tuple[str, ...]]
    """Those that the README's table shows; a recipe's own page shows all."""

    @abstractmethod
    def run(self, run: Run) -> dict[str, Any]:
        """All steps, each from its checkpoint where there is one; writes results.json and report.html, and returns the results."""

    @abstractmethod
    def report(self, run: Run) -> None:
        """Draws the report of a finished or unfinished run."""

    def likelihood(self, run: Run, *, betas: int, chains: int, sweeps: int) -> Evaluation:
        """How good the run's model is. ValueError where there is no one model."""
        raise ValueError(f"{self.name} is no run of one model, which could be evaluated: its figures are in {run.folder / runs.REPORT}")

    def sample(self, run: Run, *, steps: int, seed: int) -> Path:
        """Draws samples of the run's model into samples.png, and says where it is. ValueError where there is no one model."""
        raise ValueError(f"{self.name} is no run of one model, which could be sampled: its pictures are in {run.folder / runs.REPORT}")

    @classmethod
    def shown(cls, record: Mapping[str, Any]) -> bool:
        """Whether tables show a record."""
        return True

    def results(
        self,
        run: Run,
        setting: str,
        found: Sequence[tuple[str, float, str]],
        verdicts: Mapping[str, tuple[str, str]] = MappingProxyType({}),
        **more: object,
    ) -> dict[str, Any]:
        """The outcome of a run, written to results.json: `found` is (metric, value, unit); `verdicts` says of likelihoods among them, in a
        word and in a sentence, how far to trust them; `more` is kept beside."""
        metrics: dict[str, dict[str, Any]] = {}
        for name, value, unit in found:
            metrics[name] = {"published": self.published.get(name), "value": value, "unit": unit}
            if name in verdicts:
                metrics[name] |= dict(zip(("verdict", "trust"), verdicts[name], strict=True))
        results = {
            "recipe": run.recipe,
            "paper": self.paper,
            "setting": setting,
            "seed": self.seed,
            "metrics": metrics,
            "seconds": round(run.training_seconds, 1),
            "machine": f"{run.machines}, {self.threads} thread{'s' if self.threads > 1 else ''}",
            "settings": {name: value for name, value in run.settings.items() if name not in runs.OF_THE_RUN},
            "commit": ", ".join(run.commits),
            "defaults_changed": run.defaults_changed,
            "command": runs.command(),
            **more,
        }
        run.write(runs.RESULTS, results)
        return results


def headlines(results: Mapping[str, Any]) -> list[Headline]:
    """The metrics as the top of a report."""
    return [
        Headline(name.replace("_", " "), found["published"], found["value"], found["unit"], results["paper"] if found["published"] else "")
        for name, found in results["metrics"].items()
    ]
