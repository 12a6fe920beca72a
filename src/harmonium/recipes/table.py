"""The tables that are made of the records in results/."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harmonium.recipes import REGISTRY, find
from harmonium.recipes.record import RESULTS_FOLDER
from harmonium.recipes.run import unlike_defaults

VERDICTS = ("exact", "consistent", "doubtful")  # of a likelihood, from the best
LIKELIHOOD = re.compile("(bottom_rbm_)?test_.*nats")  # what a metric's name begins with that should have a verdict


def rows(folder: Path = RESULTS_FOLDER, *, recipe: str | None = None) -> list[dict[str, str]]:
    """The recorded metrics as rows of words: recipe, setting, metric, published, ours (mean ± sd over the seeds), verdict, time.

    Of every recipe its headlines, or of one recipe all metrics. Superseded records are left out, and those that a recipe does not show.
    """
    found = []
    known = {entry.name for entry in REGISTRY}
    for name, record in _records(folder):
        if recipe not in (None, name):
            continue
        kind = find(name) if name in known else None
        if kind is not None and not kind.shown(record):
            continue
        wanted = kind.headline_metrics if kind is not None and recipe is None else tuple(record["metrics"])
        setting = record["setting"]
        if kind is not None and record.get("settings") is not None and unlike_defaults(kind, record["settings"]):
            setting += " (earlier defaults)"
        for metric in wanted:
            if metric in record["metrics"]:
                found.append(_row(name, setting, metric, record))
    return found


def _records(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text())
        for record in content["records"]:
            yield content["recipe"], record


def _row(recipe: str, setting: str, name: str, record: dict[str, Any]) -> dict[str, str]:
    metric = record["metrics"][name]
    values = [value for value in metric["values"] if value is not None]
    verdicts = [word for word in metric.get("verdicts", []) if word is not None]
    none = "not recorded" if LIKELIHOOD.match(name) else "–"
    return {
        "recipe": recipe,
        "setting": setting,
        "metric": name.replace("_", " "),
        "published": "–" if metric["published"] is None else str(metric["published"]),
        "ours": spread(values),
        "verdict": max(verdicts, key=VERDICTS.index) if verdicts else none,
        "seeds": str(len(values)),
        "minutes": f"{statistics.fmean(record['seconds']) / 60:.1f}",
    }


def page(folder: Path, recipe: str) -> str:
    """All that is recorded of a recipe, as Markdown: every figure, how far to trust the likelihoods, and what was superseded and why."""
    parts = [markdown(rows(folder, recipe=recipe)) or "No record is shown.", *trust(folder, recipe)]
    if gone := superseded(folder, recipe):
        parts += ["Superseded, and kept in the file:", markdown(gone)]
    return "\n\n".join(parts)


def trust(folder: Path, recipe: str) -> list[str]:
    """Of each recorded likelihood of a recipe the sentence on how far to trust it, named by setting, metric and seed."""
    found = []
    for name, record in _records(folder):
        for metric, entry in record["metrics"].items() if name == recipe else ():
            for seed, sentence in zip(record["seeds"], entry.get("trust", []), strict=False):
                if sentence is not None:
                    found.append(f"*{record['setting']}, {metric.replace('_', ' ')}, seed {seed}*: {sentence}")
    return found


def superseded(folder: Path, recipe: str) -> list[dict[str, str]]:
    """What was superseded of a recipe as rows of words: setting, headlines, seeds, commits, and by which commit, when and why."""
    path = folder / f"{recipe}.json"
    content = json.loads(path.read_text()) if path.exists() else {}
    wanted = find(recipe).headline_metrics
    return [
        {
            "setting": record["setting"],
            "figures": "; ".join(
                f"{name.replace('_', ' ')} {spread([value for value in record['metrics'][name]['values'] if value is not None])}"
                for name in wanted
                if name in record["metrics"]
            ),
            "seeds": ", ".join(map(str, record["seeds"])),
            "commits": ", ".join(dict.fromkeys(commits[:7] for commits in record["commits"])),
            "superseded": f"{record['superseded']['date']}, {record['superseded']['commit'][:7]}: {record['superseded']['reason']}",
        }
        for record in content.get("superseded", [])
    ]


def spread(values: list[float]) -> str:
    """Mean ± standard deviation, in words."""
    mean = statistics.fmean(values)
    digits = ".2f" if abs(mean) >= 0.1 else ".2g"
    return f"{mean:{digits}}" + (f" ± {statistics.stdev(values):{digits}}" if len(values) > 1 else "")


def markdown(rows: list[dict[str, str]]) -> str:
    """The rows as a table of Markdown."""
    if not rows:
        return ""
    names = list(rows[0])
    lines = [" | ".join(names), " | ".join("---" for _ in names), *(" | ".join(row.values()) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)
