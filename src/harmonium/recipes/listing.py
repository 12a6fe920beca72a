"""The recipes in a line each, from the register and the recorded results alone: nothing is imported for it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harmonium.recipes import REGISTRY, Entry

LEGIBLE = 28  # characters of a sentence: below that, figures make room for it
CHECKOUT = Path(__file__).parents[3] / "results"


def results_folder() -> Path:
    """Where the recorded results are: results/ in the present folder, else that of the checkout which this code is of."""
    here = Path("results")
    return here if here.is_dir() or not CHECKOUT.is_dir() else CHECKOUT


def listing(width: int, folder: Path | None = None) -> str:
    """The recipes as a table of plain text, a line each.

    Parameters
    ----------
    width
        Characters that a line may have. Where there are few, times and published values are left out, and sentences are cut at a word.
    folder
        Of the recorded results, by default `results_folder()`.

    Returns
    -------
    str
        Lines of name, sentence, published value, ours with the verdict on it, and time of training.
    """
    folder = folder or results_folder()
    rows: list[tuple[str, ...]] = [("recipe", "what", "paper", "ours", "time")]
    rows += [(each.name, each.sentence, each.published or "–", *_ours(each, folder)) for each in REGISTRY]
    for left_out in ("time", "paper", None):
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        room = width - sum(widths) + widths[1] - 2 * (len(widths) - 1)
        if room >= LEGIBLE or left_out is None:
            break
        place = rows[0].index(left_out)
        rows = [(*row[:place], *row[place + 1 :]) for row in rows]
    widths[1] = min(widths[1], max(12, room))
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, "─" * max(map(len, lines)))
    return "\n".join(lines)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    name, sentence, *rest = row
    cells = [name.ljust(widths[0]), _cut(sentence, widths[1]).ljust(widths[1])]
    return "  ".join([*cells, *(cell.ljust(width) for cell, width in zip(rest, widths[2:], strict=True))]).rstrip()


def _cut(sentence: str, width: int) -> str:
    """At most `width` characters, cut after a word where it is longer."""
    if len(sentence) <= width:
        return sentence
    kept = sentence[:width]  # of whose last character the ellipsis takes the place
    return (kept[: kept.rfind(" ")] if " " in kept else kept[:-1]).rstrip(" ,:;") + "…"


def chosen(entry: Entry, folder: Path) -> dict[str, Any] | None:
    """The record that a list shows of a recipe."""
    path = folder / f"{entry.name}.json"
    records = json.loads(path.read_text())["records"] if path.exists() else []
    for record in records:
        named = entry.setting in ("", record["setting"]) and all(name in record["metrics"] for name in entry.headline)
        if named and entry.shows(record["metrics"]):
            return dict(record)
    return None


def _ours(entry: Entry, folder: Path) -> tuple[str, str]:
    """What is recorded of the headline, with its verdict, and the time that it took."""
    record = chosen(entry, folder)
    if record is None:
        return "–", "–"
    name = entry.headline[0]
    metric = record["metrics"][name]
    mean = statistics.fmean(value for value in metric["values"] if value is not None)
    shown = f"{mean:.2f}" if abs(mean) >= 0.1 else f"{mean:.2g}"
    verdicts = {word for word in metric.get("verdicts", ()) if word is not None}
    worst = next(
        (word for word in ("doubtful", "consistent", "exact") if word in verdicts),
        "unjudged" if name.startswith("test_") and "nats" in name else "",
    )
    return " ".join(filter(None, (shown, metric["unit"], worst))), time(statistics.fmean(record["seconds"]))


def time(seconds: float) -> str:
    """In words of one unit and two digits: "45 s", "7.7 min", "22 min", "2.6 h"."""
    size, unit = (1, "s") if seconds < 60 else (60, "min") if seconds < 3600 else (3600, "h")
    return f"{seconds / size:.{int(seconds / size < 9.95 and unit != 's')}f} {unit}"
