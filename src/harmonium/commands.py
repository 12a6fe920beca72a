"""What each command of `harmonium` does, and the options that it takes."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import torch
import tyro
from rich.console import Console
from rich.table import Table

from harmonium.begun import options_of
from harmonium.parsing import later, parse
from harmonium.processes import is_first, join_processes, wait_for_all
from harmonium.recipes import RECIPES, REGISTRY, find
from harmonium.recipes.listing import results_folder
from harmonium.record_commands import record
from harmonium.runs import record as records
from harmonium.runs import table
from harmonium.runs.contract import Recipe
from harmonium.runs.folder import EVALUATION, PAGE, REPORT, Run
from harmonium.runs.options import NOT_SETTINGS, check_recordable, earlier
from harmonium.stopping import leaving_with
from harmonium.usage import UsageError

if TYPE_CHECKING:
    from harmonium.train_commands import Train

console = Console()
Folder = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]


def carry_out(words: Sequence[str]) -> None:
    """Carries out a command.

    Parameters
    ----------
    words
        Of the command line: a command of `harmonium.cli.COMMANDS`, and what it takes.

    Raises
    ------
    UsageError
        An option is not known, lacks or does not fit its value.
    ValueError, OSError, FloatingPointError
        What the command met.
    """
    command, *rest = words
    if command == "run":
        name, *options = rest
        run(parse(find(name), options, f"harmonium run {name}"))
    elif command == "train":
        from harmonium.train_commands import Train  # here: no other command reads files of data

        train(parse(Train, rest, "harmonium train"))
    elif command in ON_A_MODEL:
        from harmonium import data_commands

        parse(later(getattr(data_commands, command)), rest, f"harmonium {command}")()
    elif command == "list":
        if len(rest) > 1 or rest[0].startswith("-"):
            raise UsageError(f"list takes the name of one recipe or nothing, found {' '.join(rest)!r}")
        details(rest[0])
    else:
        parse(later(FUNCTIONS[command]), rest, f"harmonium {command}")()


def run(recipe: Recipe) -> None:
    """Reproduce a published result, into a folder of its own. Several processes, started by `torchrun`, share the learning."""
    if recipe.record:
        check_recordable(recipe)
    join(recipe)
    if is_first():
        found = Run.begin(recipe.name, recipe)
        wait_for_all()
    else:
        wait_for_all()  # for the folder, which the first process makes
        found = Run.begin(recipe.name, dataclasses.replace(recipe, fresh=False))
    steps(recipe, found)


def train(options: Train) -> None:
    """Learn a model of the user's own data, into a folder of its own."""
    run(options.begun())


def resume(folder: Folder) -> None:
    """Go on with a run from its last checkpoint, to the same bits."""
    found = Run.open(folder)
    options = options_of(found)
    known = (*found.settings, *NOT_SETTINGS, *earlier(type(options), found.settings))
    unknown = [each.name for each in dataclasses.fields(options) if each.name not in known]
    if unknown:  # their defaults need not be how the run was begun
        raise ValueError(f"{found.folder} was begun by an earlier version, which did not have {', '.join(unknown)}: begin the run anew")
    join(options)
    found.take_part(type(options))
    steps(options, found)


def join(options: Recipe) -> None:
    """Join the processes that `torchrun` started, if it did, each with a GPU of its own. Only the first one prints."""
    if options.device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    join_processes(torch.device(options.device))
    console.quiet = not is_first()


def steps(options: Recipe, found: Run) -> None:
    """Runs a recipe's steps in a folder, each from where it stopped."""
    torch.set_num_threads(options.threads)
    stopped = f"Stopped; everything learnt so far is saved, and `harmonium resume {found.folder}` goes on with it."
    try:
        with leaving_with(stopped):
            results = options.run(found)
    except KeyboardInterrupt:
        raise SystemExit(stopped) from None
    finally:
        found.release()
    found.check_there()
    if "learnt" in results:
        say(f"{found.folder}: {results['learnt']}")
        return
    show(results)
    say(f"Pictures: {found.folder / REPORT}")
    if options.record and is_first():
        say(f"Recorded in {records.append(results, supersede=options.supersede)}")


def say(words: str) -> None:
    """Prints words as they are: a folder's name may hold what would be markup."""
    console.print(words, markup=False, highlight=False, soft_wrap=True)


def evaluate(folder: Folder, betas: int = 2500, chains: int = 100, sweeps: int = 500) -> None:
    """How good a finished run is: its errors, and its likelihood with how far to trust it, drawn into evaluation.png.

    Parameters
    ----------
    folder
        The run's folder.
    betas
        Inverse temperatures of annealed importance sampling; a second run takes four times as many.
    chains
        Its chains, and the tempered ones.
    sweeps
        Of the tempered chains.
    """
    found = Run.open(folder)
    options = options_of(found)
    torch.set_num_threads(options.threads)
    show(found.results())
    say(str(options.likelihood(found, betas=betas, chains=chains, sweeps=sweeps)))
    say(f"Picture: {found.folder / EVALUATION}")


def sample(folder: Folder, steps: int = 1000, seed: int = 0) -> None:
    """Draw samples of a run's model into samples.png, from whatever it has learnt.

    Parameters
    ----------
    folder
        The run's folder.
    steps
        Sweeps of Gibbs sampling between two pictures of a chain.
    seed
        Of the draws.
    """
    found = Run.open(folder)
    options = options_of(found)
    torch.set_num_threads(options.threads)
    say(f"Fantasies: {options.sample(found, steps=steps, seed=seed)}")


def report(folder: Folder) -> None:
    """Draw a run's report again, from whatever it has learnt."""
    found = Run.open(folder)
    options = options_of(found)
    torch.set_num_threads(options.threads)
    options.report(found)
    say(f"Pictures: {found.folder / REPORT}")


def page(folder: Folder, out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None) -> None:
    """Write a run's net as one interactive HTML file: it perceives, dreams and completes, in any browser, without a server.

    Parameters
    ----------
    folder
        The run's folder.
    out
        The HTML file; page.html in the run's folder by default.
    """
    found = Run.open(folder)
    options = options_of(found)
    torch.set_num_threads(options.threads)
    say(f"Page: {options.page(found, out or found.folder / PAGE)}")


def watch(folder: Folder, port: int = 8765, host: str = "127.0.0.1") -> None:
    """Serve a run's interactive page while it learns, to browsers of this machine alone. It needs the extra `web`; Ctrl-C ends it.

    Parameters
    ----------
    folder
        The run's folder. It is only read.
    port
        Where to answer; 0 for a free one.
    host
        The address of this machine to answer at. Any but 127.0.0.1 shows the page to others, whom only the token in its address keeps out.
    """
    from harmonium.web import Watched, serve  # here: only a server needs it

    def draw(path: Path) -> Path:
        found = Run.open(folder)
        return options_of(found).page(found, path)

    kind = type(options_of(Run.open(folder)))
    if kind.page is Recipe.page:
        draw(folder / PAGE)  # raises: a run without a page never has one
    torch.set_num_threads(1)
    with leaving_with(f"Stopped watching {folder}."):
        serve(Watched(folder, draw), host=host, port=port, say=say)


def details(name: str) -> None:
    """Print what a recipe reproduces and all that is recorded of it."""
    (entry,) = (each for each in REGISTRY if each.name == name)
    kind = find(name)
    plain = Console(width=shutil.get_terminal_size().columns, highlight=False, markup=False)
    plain.print(f"{name}: {' '.join((kind.__doc__ or entry.sentence).split())}")
    plain.print(f"Paper: {kind.paper}.")
    settings: dict[str, list[dict[str, str]]] = {}
    for row in table.rows(RECIPES, results_folder(), recipe=name):
        settings.setdefault(f"{row['setting']}, {float(row['minutes']):g} minutes", []).append(row)
    for setting, rows in settings.items():
        recorded = Table("metric", "published", "ours", "verdict", "seeds", title=setting, title_justify="left", box=None, pad_edge=False)
        for row in rows:
            recorded.add_row(*(row[column] for column in ("metric", "published", "ours", "verdict", "seeds")))
        plain.print()
        plain.print(recorded)
    if not settings:
        plain.print("Nothing is recorded of it.")
    plain.print(f"\n`harmonium run {name} --help` shows its options, with their defaults.")


DIAGNOSTICS = re.compile("log_z|effective_sample_size|round_trips")  # metrics that tell how far to trust another


def show(results: dict[str, Any]) -> None:
    """Print a run's figures, with what was published of them and the verdicts; what only tells how far to trust them is in results.json."""
    metrics = {name: metric for name, metric in results["metrics"].items() if not DIAGNOSTICS.search(name)}
    rows = [
        {
            "metric": name.replace("_", " "),
            "published": str(metric["published"] or ""),
            "ours": f"{table.spread([metric['value']])} {metric['unit']}",
            "verdict": metric.get("verdict", ""),
        }
        for name, metric in metrics.items()
    ]
    columns = [column for column in rows[0] if any(row[column] for row in rows)]
    shown = Table(*columns, title=f"{results['recipe']}, {results['setting']}, seed {results['seed']}")
    for row in rows:
        shown.add_row(*(row[column] or "–" for column in columns))
    console.print(shown)
    say(f"Training took {results['seconds']:.0f} s on {results['machine']}.")


ON_A_MODEL = ("features", "predict", "impute", "compare")
"""The commands on a model of the user's own data, each a function of `harmonium.data_commands`."""
FUNCTIONS: dict[str, Callable[..., None]] = {
    "resume": resume,
    "evaluate": evaluate,
    "sample": sample,
    "report": report,
    "page": page,
    "watch": watch,
    "record": record,
}
"""The commands whose options are a function's."""
