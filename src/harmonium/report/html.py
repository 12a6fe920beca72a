"""One run as one HTML file that needs nothing else: no network, no script, no neighbouring file."""

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from harmonium.files import write_atomically

from .drawn import as_png
from .moving import Film

Value = str | int | float | None


@dataclass(frozen=True)
class Headline:
    """A published value beside ours.

    Numbers are rounded to four figures, or one decimal from a thousand on; a string ("1.18 ± 0.03") is shown as it is.

    Parameters
    ----------
    metric
        The name of the quantity.
    published, ours
        The two values; None where there is none.
    unit
        Their unit.
    source
        The paper of the published value.
    """

    metric: str
    published: Value
    ours: Value
    unit: str
    source: str


@dataclass(frozen=True)
class Section:
    """A part of the report, in the order text, table, figures.

    Attributes
    ----------
    title
        The heading.
    text
        Plain text, escaped; a blank line starts a new paragraph.
    figures
        (figure or film, caption) pairs; the caption is also the picture's alternative text.
    table
        Rows of column -> value; columns come in order of first appearance, and a row may lack some; a column without a value is left out.
    """

    title: str
    text: str = ""
    figures: Sequence[tuple[Figure | Film, str]] = ()
    table: Sequence[Mapping[str, object]] = ()


def write_report(
    path: str | os.PathLike[str],
    *,
    title: str,
    summary: str,
    sections: Sequence[Section],
    facts: Mapping[str, object],
    headline: Sequence[Headline] = (),
    settings: Mapping[str, object] | None = None,
) -> Path:
    """Render a self-contained report and put it at `path` in one step.

    The file is complete or is not there: it is rendered first, written under a temporary name in the same folder,
    flushed to disk and renamed, so that a failure leaves an older report as it was. Missing folders are made.

    Parameters
    ----------
    title
        The heading of the page.
    summary
        Plain text under it; a blank line starts a new paragraph.
    sections
        The body.
    facts
        What it takes to reproduce the run: seed, seconds, machine, versions, command.
    headline
        Published values beside ours.
    settings
        The run's arguments.
    path
        The HTML file to write.

    Returns
    -------
    Path
        The path written.

    Raises
    ------
    OSError
        The file cannot be written.

    Examples
    --------
    >>> path = write_report("report.html", title="A run", summary="One RBM.", sections=[], facts={"seed": 0})
    """
    environment = Environment(
        loader=PackageLoader("harmonium.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(shown=_shown, paragraphs=_paragraphs, picture=_picture, still=_still, columns=_columns)
    page = environment.get_template("report.html").render(
        title=title, summary=summary, headline=headline, sections=sections, settings=settings or {}, facts=facts
    )
    return _replace(Path(path), page)


def _replace(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.encode())
    return path


def _shown(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.1f}"
    return str(value)


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in text.split("\n\n") if part.strip()]


def _columns(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """Those in which some row has something."""
    return list(dict.fromkeys(column for row in rows for column, value in row.items() if value not in (None, "")))


def _picture(shown: Figure | Film) -> str:
    if isinstance(shown, Film):
        return _data(shown.moving)
    return _data(as_png(shown))


def _still(shown: Figure | Film) -> str | None:
    """What stands for a film where nothing should move."""
    return _data(shown.still) if isinstance(shown, Film) else None


def _data(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
