"""The actions of `harmonium record`, which look after the recorded outcomes in results/."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from harmonium.recipes import RECIPES
from harmonium.recipes.listing import results_folder
from harmonium.runs import record as records
from harmonium.runs import table


@dataclasses.dataclass(frozen=True)
class Supersede:
    """Move what is recorded of a setting to the superseded list of its file, with the reason."""

    recipe: tyro.conf.Positional[str]
    setting: str
    """As the table of results names it."""
    reason: str
    seed: int | None = None
    """Only this seed."""
    commit: str | None = None
    """Only what this commit took part in; its first digits will do."""

    def carry_out(self) -> str:
        seeds = records.supersede(self.recipe, self.setting, self.reason, seed=self.seed, commit=self.commit)
        return f"Superseded: {seeds} seed{'s' if seeds > 1 else ''} of {self.recipe}, {self.setting}"


@dataclasses.dataclass(frozen=True)
class Merge:
    """Take in records made elsewhere: each seed that is not here yet, after the checks that a run of here would meet."""

    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE|FOLDER")]
    superseded: Annotated[str | None, tyro.conf.arg(metavar="REASON")] = None
    """They belong to the superseded list, for this reason."""
    commit: str | None = None
    """The commit that superseded them, by default the present one."""

    def carry_out(self) -> str:
        if self.superseded is None and self.commit is not None:
            raise ValueError("--commit is that of --superseded REASON, which is missing")
        because = None if self.superseded is None else records.why(self.superseded, self.commit)
        return f"New here: {records.merge(self.source, RECIPES, superseded=because)} seed(s)"


@dataclasses.dataclass(frozen=True)
class Refresh:
    """Write what the recipes now say was published beside the recorded values."""

    def carry_out(self) -> str:
        records.refresh(RECIPES)
        return f"Published values of {records.RESULTS_FOLDER} are those of this version's recipes"


@dataclasses.dataclass(frozen=True)
class ShowTable:
    """Print the table of all recorded results as Markdown."""

    def carry_out(self) -> str:
        return table.markdown(table.rows(RECIPES, results_folder()))


Action = (
    Annotated[Supersede, tyro.conf.subcommand("supersede")]
    | Annotated[Merge, tyro.conf.subcommand("merge")]
    | Annotated[Refresh, tyro.conf.subcommand("refresh")]
    | Annotated[ShowTable, tyro.conf.subcommand("table")]
)


def record(action: Annotated[Action, tyro.conf.arg(name="")]) -> None:
    """Look after the recorded outcomes in results/."""
    Console().print(action.carry_out(), markup=False, highlight=False, soft_wrap=True)
