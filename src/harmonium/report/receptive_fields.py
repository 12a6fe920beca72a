"""Receptive fields: the weights of hidden units as images."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from .drawn import numbers
from .tiles import Array, draw, in_rows


def filters(weights: npt.ArrayLike, image_shape: Sequence[int], *, count: int = 100, title: str | None = None) -> Figure:
    """The receptive fields of the `count` units with the largest weight norm, the largest first.

    Each tile is scaled by its own largest |w|, with zero white: shapes can be compared between tiles, strengths cannot. In colour images
    zero is grey, and a weight of each of red, green and blue makes the pixel lighter or darker in that colour.

    Parameters
    ----------
    weights
        (D, K), a column a hidden unit.
    image_shape
        (H, W) of the visible layer, H·W = D; or (3, H, W) or (H, W, 3) of colour images, in the order in which the layer has them.
    count
        How many filters are shown, at most.
    title
        Stands above the figure.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        The weights are not (D, K) for D values of such an image, the shape does not say which axis is that of the colours, or the count is
        below one.

    Examples
    --------
    >>> import harmonium as hm
    >>> rbm = hm.RBM(64, 20)
    >>> len(hm.report.filters(rbm.coupling.weight, (8, 8), count=10).axes)
    1
    """
    if count < 1:
        raise ValueError(f"count must be at least one filter, got {count}")
    fields = _fields(weights, image_shape, "weights")
    strongest = np.argsort(-_norms(fields), kind="stable")[:count]
    chosen = fields[strongest]
    columns = int(np.ceil(np.sqrt(1.6 * len(chosen))))  # a landscape sheet: it fits a screen, as a square one does not
    columns = next((c for c in range(columns, columns + 5) if len(chosen) % c == 0), columns)
    return draw(in_rows(chosen / _peaks(chosen), columns), title=title, limits=(-1.0, 1.0), diverging=chosen.ndim == 3)


def before_after(
    before: npt.ArrayLike,
    after: npt.ArrayLike,
    image_shape: Sequence[int],
    *,
    count: int = 24,
    title: str | None = None,
) -> Figure:
    """The `count` receptive fields that fine-tuning changed most: before, after, and after minus before.

    A column is one unit and has one colour scale, its largest |w| in any of the three rows, with zero white: a pale
    difference is a small one. Under it stands the change's norm over the norm before.

    Parameters
    ----------
    before
        (D, K), a column a hidden unit.
    after
        (D, K), the same units in the same order.
    image_shape
        As for `filters`.
    count
        How many filters are shown, at most.
    title
        Stands above the figure.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        The weights are not both (D, K).

    Examples
    --------
    >>> import numpy as np
    >>> before, after = np.random.default_rng(0).normal(size=(2, 64, 12))
    >>> figure = before_after(before, after, (8, 8), count=4)
    """
    first, second = _fields(before, image_shape, "before"), _fields(after, image_shape, "after")
    if first.shape != second.shape:
        raise ValueError(f"before and after must have the same units; got {len(first)} and {len(second)}")
    change, size = _norms(second - first), _norms(first)
    most = np.argsort(-change, kind="stable")[:count]
    triples = np.stack([first[most], second[most], second[most] - first[most]])
    triples /= np.max([_peaks(row) for row in triples], axis=0)

    bands = -(-len(most) // 12)
    columns = -(-len(most) // bands)
    tiles = np.stack([in_rows(row, columns) for row in triples], axis=1)  # (bands, 3, columns, H, W)
    shares = [f"{change[k] / size[k]:.0%}" if size[k] > 0 else "new" for k in most]
    captions: list[list[str]] = []
    for band in range(bands):
        captions += [[], [], shares[band * columns : (band + 1) * columns]]
    return draw(
        tiles.reshape(-1, *tiles.shape[2:]),
        title=title,
        limits=(-1.0, 1.0),
        diverging=first.ndim == 3,
        captions=captions,
        caption_label="change",
        row_labels=["before", "after", "difference"] * bands,
        group=3,
    )


def _fields(weights: npt.ArrayLike, image_shape: Sequence[int], name: str) -> Array:
    """(D, K) -> (K, H, W), or (K, H, W, 3) of colour images."""
    matrix, shape = numbers(weights), tuple(image_shape)
    size = math.prod(shape)
    axes = _colour_axes(shape)
    if matrix.ndim != 2 or matrix.shape[0] != size or matrix.shape[1] == 0:
        raise ValueError(f"{name} must have shape ({size}, units) for images of {' by '.join(map(str, shape))}; got {matrix.shape}")
    fields = matrix.T.reshape(-1, *shape)
    return fields if axes is None else np.moveaxis(fields, axes + 1, -1) if shape[axes] == 3 else fields.squeeze(axes + 1)


def _colour_axes(shape: tuple[int, ...]) -> int | None:
    """The axis of red, green and blue, or of a single grey, in a shape of three axes; None of two."""
    if len(shape) == 2:
        return None
    ends = [axis for axis in (0, 2) if len(shape) == 3 and shape[axis] in (1, 3)]
    if len(ends) != 1:
        raise ValueError(
            "image_shape is (height, width), or (3, height, width) or (height, width, 3) of colour images, with one axis of the colours; "
            f"got {shape}"
        )
    return ends[0]


def _norms(fields: Array) -> Array:
    # A broken weight must not hide the sound ones: it counts as nothing here and is drawn as a blank pixel.
    return np.asarray(np.linalg.norm(np.nan_to_num(fields).reshape(len(fields), -1), axis=1))


def _peaks(fields: Array) -> Array:
    """The largest |w| of every field, (K, 1, 1) or (K, 1, 1, 1), and 1 for a field of zeros."""
    peaks = np.abs(np.nan_to_num(fields, posinf=0.0, neginf=0.0)).max(axis=tuple(range(1, fields.ndim)), keepdims=True)
    return np.where(peaks > 0, peaks, 1.0)
