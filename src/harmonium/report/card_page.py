"""The page of a card: a table and a picture, in the colours of the page around it."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from html import escape

from matplotlib.figure import Figure

from .drawn import as_png


class Drawing(str):
    """Markup that is made here, so that it is not escaped."""


WIDTH, HEIGHT = 120, 22  # of a curve, in dots
MOST_POINTS, BINS = 200, 24

# Borders and quiet type are shares of the text's own colour, which follows the theme of the notebook.
_STYLE = """<style>
.hm-card{font:13px/1.45 system-ui,sans-serif;color:inherit;max-width:46em;margin:.3em 0}
.hm-card table{border-collapse:collapse;margin:.3em 0;background:none;border:0}
.hm-card tr,.hm-card td{background:none!important;color:inherit}
.hm-card td{border:0;border-top:1px solid color-mix(in srgb,currentColor 22%,transparent);padding:.15em .9em .15em 0;
text-align:left;vertical-align:middle;font-variant-numeric:tabular-nums}
.hm-card td:first-child{opacity:.7}.hm-card p{margin:.3em 0}.hm-card .hm-note{opacity:.7}
.hm-card svg{display:block;color:#3a8fd0}
.hm-card img{max-width:min(100%,40em);height:auto;border-radius:4px;display:block}
</style>"""


def page(
    title: str, rows: Sequence[Sequence[object]], *, head: str | None = None, figure: Drawing | None = None, note: str | None = None
) -> str:
    """The HTML of a card.

    Parameters
    ----------
    title
        In bold.
    rows
        Of the table, cell by cell; a `Drawing` is put in as it is, and all else is text, which is escaped.
    head
        A sentence after the title.
    figure
        Under the table.
    note
        A sentence in quiet type at the end.

    Returns
    -------
    str
        One `div`, with its style.
    """
    columns = max((len(row) for row in rows), default=0)
    cells = "".join(f"<tr>{_cells(row, columns)}</tr>" for row in rows)
    parts = [
        _STYLE,
        f"<p><strong>{escape(title)}</strong>{'' if head is None else '&ensp;' + escape(head)}</p>",
        f"<table>{cells}</table>",
        figure or "",
        f'<p class="hm-note">{escape(note)}</p>' if note else "",
    ]
    return f'<div class="hm-card">{"".join(parts)}</div>'


def _cells(row: Sequence[object], columns: int) -> str:
    """The last cell of a short row takes the place of those that it lacks."""
    texts = [cell if isinstance(cell, Drawing) else escape(str(cell)) for cell in row]
    wide = f' colspan="{columns - len(row) + 1}"' if len(row) < columns else ""
    return "".join(f"<td>{text}</td>" for text in texts[:-1]) + f"<td{wide}>{texts[-1]}</td>"


def picture(figure: Figure, text: str) -> Drawing:
    """A figure within the page, with a text that stands for it."""
    data = base64.b64encode(as_png(figure)).decode("ascii")
    return Drawing(f'<img src="data:image/png;base64,{data}" alt="{escape(text)}" title="{escape(text)}">')


def curve(values: Sequence[float], text: str) -> Drawing:
    """Values as a small line, from left to right; what is not finite leaves a gap."""
    step = max(1, math.ceil(len(values) / MOST_POINTS))
    chosen = [*values[::step], *([values[-1]] if (len(values) - 1) % step else [])] if values else []
    finite = [value for value in chosen if math.isfinite(value)]
    if len(finite) < 2:
        return Drawing("")
    low, high = min(finite), max(finite)
    span, last = (high - low) or 1.0, len(chosen) - 1
    pieces: list[list[str]] = [[]]
    for place, value in enumerate(chosen):
        if math.isfinite(value):
            y = HEIGHT / 2 if high == low else 2 + (HEIGHT - 4) * (high - value) / span
            pieces[-1].append(f"{2 + (WIDTH - 4) * place / last:.1f},{y:.1f}")
        elif pieces[-1]:
            pieces.append([])
    lines = "".join(
        f'<polyline points="{" ".join(piece)}" fill="none" stroke="currentColor" stroke-width="1.5"/>' for piece in pieces if piece
    )
    return _svg(lines, text)


def bars(values: Sequence[float], text: str) -> Drawing | None:
    """The histogram of some values; None of fewer than two different ones."""
    low, high = (min(values), max(values)) if values else (0.0, 0.0)
    if low == high:
        return None
    counts = [0] * BINS
    for value in values:
        counts[min(int(BINS * (value - low) / (high - low)), BINS - 1)] += 1
    wide, tall, most = 2.0 * WIDTH / BINS, 2.0 * HEIGHT, max(counts)
    shown = "".join(
        f'<rect x="{wide * place:.1f}" y="{tall * (1 - count / most):.1f}" width="{wide - 1:.1f}" height="{tall * count / most:.1f}" '
        'fill="currentColor"/>'
        for place, count in enumerate(counts)
    )
    caption = f"{text}: {low:.3g} to {high:.3g}"
    return Drawing(_svg(shown, caption, 2) + f'<p class="hm-note">{escape(caption)}</p>')


def _svg(content: str, text: str, scale: int = 1) -> Drawing:
    size = f'width="{scale * WIDTH}" height="{scale * HEIGHT}" viewBox="0 0 {scale * WIDTH} {scale * HEIGHT}"'
    return Drawing(f'<svg role="img" {size}><title>{escape(text)}</title>{content}</svg>')
