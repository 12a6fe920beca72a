"""Many small images as one array and one `imshow`: hundreds of tiles draw as fast as one."""

import math
from collections.abc import Sequence

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from .drawn import numbers
from .style import DPI, HAIR, INK, MARGIN, MUTED, PAPER, SMALL, WIDTH, page, text_width

Array = npt.NDArray[np.float64]

_LARGEST_TILE = 0.9  # inches
_SMALLEST_TYPE = 7.0  # points


def stack(images: npt.ArrayLike, name: str, ndim: int = 3) -> Array:
    """`images` as float64 of `ndim` axes; ValueError, naming the argument, for another shape or an empty array."""
    array = numbers(images)
    if array.ndim != ndim or array.size == 0:
        wanted = "(images, height, width)" if ndim == 3 else "(chains, frames, height, width)"
        raise ValueError(f"{name} must be a non-empty array of shape {wanted}; got shape {array.shape}")
    return array


def in_rows(images: Array, columns: int) -> Array:
    """(N, H, W, ...) -> (rows, columns, H, W, ...), row by row; the last row is filled up with blank (NaN) tiles."""
    if columns < 1:
        raise ValueError(f"columns must be at least 1; got {columns}")
    columns = min(columns, len(images))
    blanks = np.full((-len(images) % columns, *images.shape[1:]), np.nan)
    return np.concatenate([images, blanks]).reshape(-1, columns, *images.shape[1:])


def colour_limits(images: Array, diverging: bool) -> tuple[float, float]:
    """Smallest and largest finite value, or plus and minus the largest magnitude; never an empty interval."""
    finite = images[np.isfinite(images)]
    if diverging:
        largest = float(np.abs(finite).max(initial=0.0)) or 1.0
        return -largest, largest
    if finite.size == 0:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _coloured(sheet: Array, low: float, high: float, gap: str) -> Array:
    """(H, W, 3) values as shares of red, green and blue, the gaps in a colour of their own."""
    shares = np.clip((sheet - low) / (high - low), 0.0, 1.0)
    return np.where(np.isfinite(sheet).all(-1, keepdims=True), shares, to_rgb(gap))


def mosaic(tiles: Array, across: int, below: Sequence[int]) -> tuple[Array, list[int], list[int]]:
    """Lay `tiles` (rows, columns, H, W), or (..., 3) of colours, on one sheet whose uncovered pixels are NaN.

    `across` pixels lie between neighbours in a row and half of them at either end (at least one), `below[r]` under
    row r, one above the first. Returns the sheet, the top of every row and the left of every column, in pixels.
    """
    rows, columns, height, width = tiles.shape[:4]
    edge = max(1, across // 2)
    lefts = [edge + column * (width + across) for column in range(columns)]
    tops = [1 + row * height + sum(below[:row]) for row in range(rows)]
    sheet = np.full((tops[-1] + height + below[-1], lefts[-1] + width + edge, *tiles.shape[4:]), np.nan)
    for row, top in enumerate(tops):
        for column, left in enumerate(lefts):
            sheet[top : top + height, left : left + width] = tiles[row, column]
    return sheet, tops, lefts


def draw(
    tiles: Array,
    *,
    title: str | None = None,
    limits: tuple[float, float] | None = None,
    diverging: bool = False,
    captions: Sequence[Sequence[str]] | None = None,
    caption_label: str = "",
    row_labels: Sequence[str] = (),
    group: int = 0,
) -> Figure:
    """Draw `tiles` (rows, columns, H, W), or (rows, columns, H, W, 3) of red, green and blue, on one page.

    `captions` (rows, columns) stand under tiles, `caption_label` before each line of them, `row_labels` before rows;
    a wider gap follows every `group` rows. The sheet is the only image of the only axes, and each of its pixels covers
    a whole number of dots unless that would make the page too wide or the tiles tiny.
    """
    rows, columns, height, width = tiles.shape[:4]
    label_room = max(text_width(label, SMALL) for label in ("", caption_label, *row_labels))
    caption_room = max((text_width(c, _SMALLEST_TYPE) for line in captions or () for c in line), default=0.0)

    dots = (WIDTH - 2 * MARGIN - label_room) * DPI
    scale = min(dots / (columns * (width + 1) + 1), _LARGEST_TILE * DPI / max(height, width))
    scale = math.floor(scale) if scale >= 2 else scale
    inch = scale / DPI  # the side of one image pixel

    across = max(1, math.ceil(caption_room / inch) - width)
    below = [1] * rows
    for row in range(rows):
        if captions is not None and any(captions[row]):
            below[row] = math.ceil(0.2 / inch)
        if group and (row + 1) % group == 0 and row + 1 < rows:
            below[row] += math.ceil(0.1 / inch)
    sheet, tops, lefts = mosaic(tiles, across, below)

    sheet_height, sheet_width = (side * inch for side in sheet.shape[:2])
    page_width = max(sheet_width + label_room + 2 * MARGIN, 3.0)
    figure, head = page(page_width, sheet_height + 2 * MARGIN, title)
    page_height = figure.get_figheight()
    axes = figure.add_axes(
        (
            (MARGIN + label_room) / page_width,
            (page_height - head - MARGIN - sheet_height) / page_height,
            sheet_width / page_width,
            sheet_height / page_height,
        )
    )
    axes.set_axis_off()
    # Zero is white in the diverging map: only tinted gaps then keep neighbouring tiles apart.
    gap = HAIR if (diverging or tiles.ndim == 5) and captions is None and not group else PAPER
    low, high = limits if limits is not None else colour_limits(tiles, diverging)
    axes.imshow(
        np.ma.masked_invalid(sheet) if sheet.ndim == 2 else _coloured(sheet, low, high, gap),
        cmap=matplotlib.colormaps["RdBu_r" if diverging else "gray"].with_extremes(bad=gap),
        vmin=low,
        vmax=high,
        interpolation="nearest" if scale >= 2 else "antialiased",
        aspect="auto",
    )
    if captions is not None:
        pitch = (width + across) * inch
        longest = max((text_width(c, 1.0) for line in captions for c in line), default=0.0)
        size = min(SMALL, 0.97 * pitch / longest) if longest else SMALL
        for row, line in enumerate(captions):
            for column, caption in enumerate(line):
                x, y = lefts[column] + (width - 1) / 2, tops[row] + height - 0.5 + 0.03 / inch
                axes.text(x, y, caption, fontsize=size, color=INK, ha="center", va="top", parse_math=False)
            if line and caption_label:
                y = tops[row] + height - 0.5 + 0.03 / inch
                axes.text(-0.5 - 0.06 / inch, y, caption_label, fontsize=size, color=MUTED, ha="right", va="top")
    for row, label in enumerate(row_labels):
        y = tops[row] + (height - 1) / 2
        axes.text(-0.5 - 0.06 / inch, y, label, fontsize=SMALL, color=MUTED, ha="right", va="center", parse_math=False)
    filled = columns - int(np.isnan(tiles[-1]).all(axis=tuple(range(1, tiles.ndim - 1)))[::-1].argmin())
    if gap != PAPER and filled < columns:  # else the unfilled end of the last row is one large tinted block
        corner = lefts[filled] - 0.5, tops[-1] - 0.5
        axes.add_patch(Rectangle(corner, sheet.shape[1], sheet.shape[0], facecolor=PAPER, edgecolor="none"))
    return figure
