"""Recorded outcomes: results/<recipe>.json, one record a setting, one value a seed."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harmonium.files import write_atomically

RESULTS_FOLDER = Path("results")
ELSEWHERE = re.compile(r" --(?:out|data-dir)[ =](?:'[^']*'|/\S+)")  # absolute folders of the machine that ran it: no one else's
# What the names of metrics begin with that tables show, beside those that have a published value.
MAIN = ("test", "bottom_rbm", "improvement")
LEFT_TO_PAGES = ("at_equal_seconds",)  # what only a recipe's own page shows


def append(results: Mapping[str, Any], folder: Path = RESULTS_FOLDER) -> Path:
    """Adds one run's outcome to its recipe's file. ValueError if that setting already has that seed from the same code and machine.

    Values of one record must come from one machine: another machine's start a record of their own.
    """
    path = folder / f"{results['recipe']}.json"
    content = json.loads(path.read_text()) if path.exists() else {"recipe": results["recipe"], "paper": results["paper"], "records": []}
    for record in content["records"]:
        if (record["setting"], record["machine"]) == (results["setting"], results["machine"]):
            break
    else:
        record = {"setting": results["setting"], "metrics": {}, "seeds": [], "seconds": [], "machine": results["machine"]}
        record |= {"commits": [], "commands": []}
        content["records"].append(record)
    if results["seed"] in record["seeds"]:
        raise ValueError(f"{path} already has seed {results['seed']} of the setting {results['setting']!r}; record another seed")
    for plural in ("seed", "second", "commit"):
        record[f"{plural}s"].append(results["seconds" if plural == "second" else plural])
    record["commands"].append(ELSEWHERE.sub("", results["command"]))
    for name, metric in results["metrics"].items():
        entry = record["metrics"].setdefault(name, {"published": metric["published"], "unit": metric["unit"], "values": []})
        values = entry["values"]
        values.append(metric["value"])
        entry["mean"] = statistics.fmean(values)
        entry["sd"] = statistics.stdev(values) if len(values) > 1 else None
    write_atomically(path, (json.dumps(content, indent=2) + "\n").encode())
    return path


def table(folder: Path = RESULTS_FOLDER) -> list[dict[str, str]]:
    """The main recorded metrics as rows of words: recipe, setting, metric, published, ours (mean ± sd over the seeds), time."""
    rows = []
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text())
        for record in content["records"]:
            for name, metric in record["metrics"].items():
                if metric["published"] is None and (not name.startswith(MAIN) or name.endswith(LEFT_TO_PAGES)):
                    continue
                rows.append(
                    {
                        "recipe": content["recipe"],
                        "setting": record["setting"],
                        "metric": name.replace("_", " "),
                        "published": "–" if metric["published"] is None else str(metric["published"]),
                        "ours": spread(metric["values"]),
                        "seeds": str(len(metric["values"])),
                        "minutes": f"{statistics.fmean(record['seconds']) / 60:.1f}",
                    }
                )
    return rows


def spread(values: list[float]) -> str:
    """Mean ± standard deviation, in words."""
    mean = statistics.fmean(values)
    digits = ".2f" if abs(mean) >= 0.1 else ".2g"
    return f"{mean:{digits}}" + (f" ± {statistics.stdev(values):{digits}}" if len(values) > 1 else "")


def markdown(rows: list[dict[str, str]]) -> str:
    """The rows as the README's table."""
    if not rows:
        return ""
    names = list(rows[0])
    lines = [" | ".join(names), " | ".join("---" for _ in names), *(" | ".join(row.values()) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)
