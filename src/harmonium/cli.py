"""The command line: harmonium run | resume | evaluate | sample | report | list | record."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Union

import torch
import tyro
from rich.console import Console
from rich.table import Table

from harmonium.recipes import RECIPES
from harmonium.runs import record as records
from harmonium.runs import table
from harmonium.runs.contract import Recipe as AnyRecipe
from harmonium.runs.folder import CONFIGURATION, EVALUATION, REPORT, Run
from harmonium.runs.options import NOT_SETTINGS, check_recordable, from_settings

console = Console()
if TYPE_CHECKING:
    Recipe = AnyRecipe
else:  # a subcommand for each recipe
    Recipe = Union[tuple(Annotated[recipe, tyro.conf.subcommand(recipe.name)] for recipe in RECIPES.values())]  # noqa: UP007
Folder = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]


def run(recipe: Annotated[Recipe, tyro.conf.arg(name="")]) -> None:
    """Reproduce a published result, into a folder of its own."""
    if recipe.record:
        check_recordable(recipe)
    carry_out(recipe, Run.begin(recipe.name, recipe))


def resume(folder: Folder) -> None:
    """Go on with a run from its last checkpoint, to the same bits."""
    found = Run.open(folder)
    options = options_of(found)
    unknown = [each.name for each in dataclasses.fields(options) if each.name not in (*found.settings, *NOT_SETTINGS)]
    if unknown:  # their defaults need not be how the run was begun
        raise ValueError(f"{found.folder} was begun by an earlier version, which did not have {', '.join(unknown)}: begin the run anew")
    found.take_part(type(options))
    carry_out(options, found)


def carry_out(options: AnyRecipe, found: Run) -> None:
    """Runs a recipe's steps in a folder, each from where it stopped."""
    torch.set_num_threads(options.threads)
    try:
        results = options.run(found)
    except KeyboardInterrupt:
        raise SystemExit(f"Stopped; everything learnt so far is saved, and `harmonium resume {found.folder}` goes on with it.") from None
    show(results)
    console.print(f"Pictures: {found.folder / REPORT}")
    if options.record:
        console.print(f"Recorded in {records.append(results, supersede=options.supersede)}")


def options_of(found: Run) -> AnyRecipe:
    """A run's recipe with the settings it was begun with. ValueError if its configuration is not one of this version's."""
    for recipe in RECIPES.values():
        if recipe.name == found.recipe:
            try:
                return from_settings(recipe, found.settings)
            except (TypeError, KeyError) as error:
                raise ValueError(f"{found.folder / CONFIGURATION} does not fit the recipe {found.recipe}: {error}") from error
    raise ValueError(f"{found.folder} holds a run of {found.recipe!r}, which is no recipe of this version: see `harmonium list`")


def evaluate(folder: Folder, betas: int = 2500, chains: int = 100, sweeps: int = 500) -> None:
    """How good a finished run is: its errors, and its likelihood with how far to trust it, drawn into evaluation.png.

    Args:
        folder: The run's folder.
        betas: Inverse temperatures of annealed importance sampling; a second run takes four times as many.
        chains: Its chains, and the tempered ones.
        sweeps: Of the tempered chains.
    """
    found = Run.open(folder)
    options = options_of(found)
    torch.set_num_threads(options.threads)
    show(found.results())
    console.print(str(options.likelihood(found, betas=betas, chains=chains, sweeps=sweeps)), markup=False, highlight=False)
    console.print(f"Picture: {found.folder / EVALUATION}")


def sample(folder: Folder, steps: int = 1000, seed: int = 0) -> None:
    """Draw samples of a run's model into samples.png, from whatever it has learnt.

    Args:
        folder: The run's folder.
        steps: Sweeps of Gibbs sampling between two pictures of a chain.
        seed: Of the draws.
    """
    found = Run.open(folder)
    options = options_of(found)
    torch.set_num_threads(options.threads)
    console.print(f"Fantasies: {options.sample(found, steps=steps, seed=seed)}")


def report(folder: Folder) -> None:
    """Draw a run's report again, from whatever it has learnt."""
    found = Run.open(folder)
    options = options_of(found)
    torch.set_num_threads(options.threads)
    options.report(found)
    console.print(f"Pictures: {found.folder / REPORT}")


def list_() -> None:
    """The recipes: published values, ours, and the time they take."""
    every = Table("recipe", "what", "published")
    for recipe in RECIPES.values():
        published = "; ".join(f"{name.replace('_', ' ')}: {value}" for name, value in recipe.published.items())
        every.add_row(recipe.name, (recipe.__doc__ or "").strip().splitlines()[0], published or "–")
    console.print(every)
    if rows := table.rows(RECIPES):
        recorded = Table(*rows[0], title="recorded in results/")
        for row in rows:
            recorded.add_row(*row.values())
        console.print(recorded)


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
    """Print the README's table of results as Markdown."""

    def carry_out(self) -> str:
        return table.markdown(table.rows(RECIPES))


Action = (
    Annotated[Supersede, tyro.conf.subcommand("supersede")]
    | Annotated[Merge, tyro.conf.subcommand("merge")]
    | Annotated[Refresh, tyro.conf.subcommand("refresh")]
    | Annotated[ShowTable, tyro.conf.subcommand("table")]
)


def record(action: Annotated[Action, tyro.conf.arg(name="")]) -> None:
    """Look after the recorded outcomes in results/."""
    console.print(action.carry_out(), markup=False, highlight=False, soft_wrap=True)


def show(results: dict[str, Any]) -> None:
    """A run's figures, published values beside them."""
    shown = Table("metric", "published", "ours", "verdict", title=f"{results['recipe']}, {results['setting']}, seed {results['seed']}")
    for name, metric in results["metrics"].items():
        ours = f"{table.spread([metric['value']])} {metric['unit']}"
        shown.add_row(name.replace("_", " "), str(metric["published"] or "–"), ours, metric.get("verdict", "–"))
    console.print(shown)
    console.print(f"Training took {results['seconds']:.0f} s on {results['machine']}.")


def main() -> None:
    """The entry point: every error a user can mend is one sentence, and exit code 1."""
    commands: dict[str, Callable[..., Any]] = {
        "run": run,
        "resume": resume,
        "evaluate": evaluate,
        "sample": sample,
        "report": report,
        "list": list_,
        "record": record,
    }
    try:
        tyro.extras.subcommand_cli_from_dict(commands, prog="harmonium", description=__doc__)
    except (ValueError, FileNotFoundError, FloatingPointError) as error:
        sys.exit(f"harmonium: {error}")
    except KeyboardInterrupt:
        sys.exit("Stopped.")


if __name__ == "__main__":
    main()
