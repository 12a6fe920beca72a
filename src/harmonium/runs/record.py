"""Recorded outcomes: results/<recipe>.json, one record per setting and machine, one value per seed; nothing in it is edited by hand.

    {"recipe", "paper", "records": [...], "superseded": [...]}

A record has its `setting`, the `settings` of the run (all but seed, threads and folders), `machine`, and lists with one entry per seed:
`seeds`, `seconds`, `commits` (every commit that took part in the run, comma-separated), `defaults_changed` (the settings whose defaults
were not the same in all of these), `commands`; and `metrics`: name -> `published`, `unit`, `values` (None where that seed has no such
metric), `mean`, `sd`, and for likelihoods `verdicts` (a word) and `trust` (a sentence). Seeds of equal setting but different settings or
machines never share a record. What a later record replaces is moved to `superseded` with a reason, never removed.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harmonium.files import write_atomically
from harmonium.runs.contract import Recipe
from harmonium.runs.options import unlike_defaults
from harmonium.runs.provenance import commit as present_commit
from harmonium.runs.provenance import git

RESULTS_FOLDER = Path("results")
ELSEWHERE = re.compile(r" --(?:out|data-dir)[ =](?:'[^']*'|/\S+)")  # absolute folders of the machine that ran it: no one else's
SAME = ("setting", "settings", "machine")  # of all seeds of a record
EACH = ("seeds", "seconds", "commits", "defaults_changed", "commands")  # lists with an entry per seed
OF_METRIC = ("values", "verdicts", "trust")
Record = dict[str, Any]
Recipes = Mapping[str, type[Recipe]]


def append(results: Mapping[str, Any], folder: Path = RESULTS_FOLDER, *, supersede: str | None = None) -> Path:
    """Adds one run's outcome to its recipe's file. ValueError if a record of these settings and this machine already has that seed.

    `supersede`: the reason to move whatever is recorded of the same setting and seed to the superseded list first.
    """
    path, content = _opened(folder, results["recipe"], results["paper"])
    if supersede is not None:
        _move(content, results["setting"], results["seed"], None, why(supersede))
    _add(content, _record_of(results), path)
    _write(path, content)
    return path


def supersede(
    recipe: str, setting: str, reason: str, *, seed: int | None = None, commit: str | None = None, folder: Path = RESULTS_FOLDER
) -> int:
    """Moves what is recorded of a setting to the superseded list; gives the number of seeds.

    `seed`: only this one; `commit`: only those that this commit took part in. ValueError where there is none, and where one seed is
    recorded twice (under other settings or on another machine) and `commit` does not say which is meant.
    """
    path = folder / f"{recipe}.json"
    if not path.exists():
        raise ValueError(f"there is no {path}: results are looked for in the present folder")
    content = _read(path)
    settings = sorted({record["setting"] for record in content["records"]})
    moved = _move(content, setting, seed, commit, why(reason))
    seeds = [each for record in moved for each in record["seeds"]]
    if not seeds:
        raise ValueError(f"{path} holds no such record of the setting {setting!r}: its settings are {settings}")
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"{path} holds a seed of the setting {setting!r} more than once: say which is meant with --commit")
    _write(path, content)
    return len(seeds)


def merge(source: Path, recipes: Recipes, folder: Path = RESULTS_FOLDER, *, superseded: Mapping[str, str] | None = None) -> int:
    """Takes in records made elsewhere, after the checks that a run's own outcome meets.

    Parameters
    ----------
    source
        A file of this format, or a folder of such files.
    recipes
        By name, as `harmonium.recipes.RECIPES` holds the package's own: whose settings the records are to be of.
    folder
        Where they are taken in.
    superseded
        From `why`, where they belong to the superseded list.

    Returns
    -------
    int
        The number of seeds that were not here yet.

    Raises
    ------
    ValueError
        If any of them could not have been recorded here; then nothing is written.
    """
    files = sorted(source.glob("*.json")) if source.is_dir() else [source]
    if not files or not files[0].exists():
        raise ValueError(f"{source} holds no records: expected a file like results/mnist-rbm.json, or a folder of such files")
    contents: dict[Path, Record] = {}
    taken = 0
    for file in files:
        incoming = _read(file)
        path, content = _opened(folder, incoming["recipe"], incoming["paper"])
        for record in incoming["records"]:
            for one in (part(record, [place]) for place in range(len(record["seeds"]))):
                if any(_same_run(one, held) for held in _every_seed(content)):
                    continue
                if superseded is not None:
                    content["superseded"].append({**one, "superseded": dict(superseded)})
                else:
                    _check(one, _recipe(recipes, incoming["recipe"]), file)
                    _add(content, one, path)
                taken += 1
        content["superseded"] += [each for each in incoming["superseded"] if each not in content["superseded"]]
        contents[path] = content
    for path, content in contents.items():  # after all checks
        _write(path, content)
    return taken


def refresh(recipes: Recipes, folder: Path = RESULTS_FOLDER) -> None:
    """Writes what the recipes, by name, now say was published beside the recorded values."""
    for path in sorted(folder.glob("*.json")):
        content, recipe = _read(path), _recipe(recipes, path.stem)
        content["paper"] = recipe.paper
        for record in content["records"]:
            for name, metric in record["metrics"].items():
                metric["published"] = recipe.published.get(name)
        _write(path, content)


def why(reason: str, commit: str | None = None) -> dict[str, str]:
    """What stands beside a superseded record: the reason, and the commit, by default the present one, with its date."""
    if not reason.strip():
        raise ValueError("a record is superseded for a reason: say it in a sentence")
    named = commit or present_commit()
    try:
        date = git("show", "--no-patch", "--format=%cs", named.removesuffix("-changed"))
        named = git("rev-parse", named) if commit else named
    except (OSError, subprocess.CalledProcessError) as error:
        if commit:
            raise ValueError(f"{commit!r} is no commit of this checkout") from error
        date = "unknown"
    return {"reason": reason, "commit": named, "date": date}


def part(record: Record, places: Sequence[int]) -> Record:
    """The record of the seeds at some places of its lists."""

    def at(entry: Record, names: Sequence[str]) -> Record:
        return {**entry, **{name: [entry[name][place] for place in places] for name in names if name in entry}}

    metrics = {name: _summed(at(metric, OF_METRIC)) for name, metric in record["metrics"].items()}
    return {**at(record, EACH), "metrics": {name: metric for name, metric in metrics.items() if metric["mean"] is not None}}


def _joined(record: Record, other: Record) -> Record:
    """The record of the seeds of both."""
    seeds, more = len(record["seeds"]), len(other["seeds"])

    def both(one: Record, two: Record, names: Sequence[str]) -> Record:
        lists = {n: one.get(n, [None] * seeds) + two.get(n, [None] * more) for n in names if n in one or n in two}
        return {**one, **two, **lists}

    metrics = {
        name: _summed(both(record["metrics"].get(name, {}), other["metrics"].get(name, {}), OF_METRIC))
        for name in {**record["metrics"], **other["metrics"]}
    }
    return {**both(record, other, EACH), "metrics": metrics}


def _summed(metric: Record) -> Record:
    """With its mean and standard deviation over the seeds that have it."""
    values = [value for value in metric["values"] if value is not None]
    mean = statistics.fmean(values) if values else None
    return {**metric, "mean": mean, "sd": statistics.stdev(values) if len(values) > 1 else None}


def _record_of(results: Mapping[str, Any]) -> Record:
    """One run's outcome as a record of one seed."""
    metrics = {}
    for name, found in results["metrics"].items():
        metrics[name] = _summed({"published": found["published"], "unit": found["unit"], "values": [found["value"]]})
        metrics[name] |= {"verdicts": [found["verdict"]], "trust": [found["trust"]]} if "verdict" in found else {}
    return {
        "setting": results["setting"],
        "settings": results["settings"],
        "metrics": metrics,
        "seeds": [results["seed"]],
        "seconds": [results["seconds"]],
        "machine": results["machine"],
        "commits": [results["commit"]],
        "defaults_changed": [results["defaults_changed"]],
        "commands": [ELSEWHERE.sub("", results["command"])],
    }


def _add(content: Record, record: Record, path: Path) -> None:
    """Puts a record's seeds into the record of the same settings and machine, or beside the others."""
    for place, held in enumerate(content["records"]):
        if all(held.get(name) == record.get(name) for name in SAME):
            if twice := set(held["seeds"]) & set(record["seeds"]):
                raise ValueError(
                    f"{path} already has seed {min(twice)} of the setting {record['setting']!r}; record another seed, or say with "
                    "--supersede why the new one replaces it"
                )
            content["records"][place] = _joined(held, record)
            return
    content["records"].append(record)


def _move(content: Record, setting: str, seed: int | None, commit: str | None, because: Mapping[str, str]) -> list[Record]:
    """Moves a setting's seeds to the superseded list, and gives what was moved."""
    kept, moved = [], []
    for record in content["records"]:
        places = [
            place
            for place, (each, commits) in enumerate(zip(record["seeds"], record["commits"], strict=True))
            if record["setting"] == setting and seed in (None, each) and (commit is None or commit in commits)
        ]
        rest = [place for place in range(len(record["seeds"])) if place not in places]
        if places:
            moved.append({**part(record, places), "superseded": dict(because)})
        if rest:
            kept.append(part(record, rest) if places else record)
    content["records"] = kept
    content["superseded"] += moved
    return moved


def _recipe(recipes: Recipes, name: str) -> type[Recipe]:
    """ValueError where there is none of that name."""
    if name not in recipes:
        raise ValueError(f"{name!r} is no recipe of this version: see `harmonium list`")
    return recipes[name]


def _check(record: Record, recipe: type[Recipe], file: Path) -> None:
    """Whether a run here could have been recorded so."""
    if record.get("settings") is None:
        raise ValueError(f"{file} holds a record of the setting {record['setting']!r} that does not say its settings: record it anew")
    if changed := unlike_defaults(recipe, record["settings"]):
        raise ValueError(
            f"{file} holds a record of the setting {record['setting']!r} whose settings are not the recipe's: {', '.join(changed)}"
        )


def _every_seed(content: Record) -> list[Record]:
    records = [*content["records"], *content["superseded"]]
    return [part(record, [place]) for record in records for place in range(len(record["seeds"]))]


def _same_run(one: Record, other: Record) -> bool:
    """Whether two records of one seed are of one run; what was published may have been put right since."""

    def told(record: Record) -> list[Any]:
        return [
            *(record.get(name) for name in (*SAME, *EACH)),
            {name: metric["values"] for name, metric in record["metrics"].items()},
        ]

    return told(one) == told(other)


def _opened(folder: Path, recipe: str, paper: str) -> tuple[Path, Record]:
    path = folder / f"{recipe}.json"
    return path, _read(path) if path.exists() else {"recipe": recipe, "paper": paper, "records": [], "superseded": []}


def _read(path: Path) -> Record:
    """A file of records. ValueError where it is none."""
    try:
        content = json.loads(path.read_text())
        found = {"recipe": content["recipe"], "paper": content["paper"], "records": content["records"]}
        found["superseded"] = content.get("superseded", [])
        for record in (*found["records"], *found["superseded"]):
            lists = [record[name] for name in EACH if name in record]
            lists += [metric[name] for metric in record["metrics"].values() for name in OF_METRIC if name in metric]
            if any(len(each) != len(record["seeds"]) for each in lists):
                raise ValueError(f"a record of the setting {record['setting']!r} has lists of different lengths")
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no file of records ({error!r})") from error
    return found


def _write(path: Path, content: Record) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (json.dumps(content, indent=2) + "\n").encode())
