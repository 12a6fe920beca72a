"""Pictures of what a model has learnt: arrays in, a `matplotlib.figure.Figure` out.

Every function is pure: it draws through the object interface, so no global figure, backend or style is touched, and
the figure is freed with its last reference. Arrays may be anything `numpy.asarray` takes. Images are grey, (height,
width), the largest value white; signed images are red above zero and blue below.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from .drawn import numbers
from .style import MARGIN, SMALL, WIDTH, message, text_width
from .tiles import colour_limits, draw, in_rows, stack


def image_grid(
    images: npt.ArrayLike,
    *,
    columns: int,
    title: str | None = None,
    limits: tuple[float, float] | None = None,
    captions: Sequence[str] | None = None,
    diverging: bool = False,
) -> Figure:
    """Small images in a tight grid, row by row.

    Parameters
    ----------
    images
        (N, H, W), in any unit; NaN pixels are left blank.
    columns
        Tiles in a row; fewer images than that make one shorter row.
    limits
        The values drawn black and white (or full blue and full red); by default the smallest and largest finite
        value over all images (or plus and minus the largest magnitude).
    captions
        N short texts, drawn under the tiles.
    diverging
        Images are signed: red above zero, blue below.
    title
        Stands above the figure.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        The images are not (N, H, W) or there are none, or the captions are not N.

    Examples
    --------
    >>> import numpy as np
    >>> from harmonium.report import image_grid
    >>> grid = image_grid(np.random.default_rng(0).random((3, 8, 8)), columns=3, captions=["a", "b", "c"])
    >>> [text.get_text() for text in grid.axes[0].texts]
    ['a', 'b', 'c']
    """
    pictures = stack(images, "images")
    tiles = in_rows(pictures, columns)
    lines = None
    if captions is not None:
        if len(captions) != len(pictures):
            raise ValueError(f"captions must be one for each of the {len(pictures)} images; got {len(captions)}")
        lines = [captions[start : start + columns] for start in range(0, len(pictures), columns)]
    return draw(tiles, title=title, limits=limits, captions=lines, diverging=diverging)


def reconstructions(
    data: npt.ArrayLike,
    reconstructed: npt.ArrayLike,
    *,
    columns: int = 12,
    title: str | None = None,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Data above their reconstructions, in pairs of rows, on one grey scale.

    Parameters
    ----------
    data
        (N, H, W).
    reconstructed
        (N, H, W), in the same order and unit.
    columns
        Cases in a row.
    limits
        The values drawn black and white; by default the smallest and largest over both arrays.
    title
        Stands above the figure.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        The two arrays are not of one shape (N, H, W).

    Examples
    --------
    >>> import numpy as np
    >>> data = np.random.default_rng(0).random((3, 8, 8))
    >>> figure = reconstructions(data, 1 - data)
    """
    above, below = stack(data, "data"), stack(reconstructed, "reconstructed")
    if above.shape != below.shape:
        raise ValueError(f"data and reconstructed must have one shape; got {above.shape} and {below.shape}")
    tiles = np.stack([in_rows(above, columns), in_rows(below, columns)], axis=1)
    return draw(
        tiles.reshape(-1, *tiles.shape[2:]),
        title=title,
        limits=limits or colour_limits(tiles, diverging=False),
        row_labels=["data", "reconstruction"] * len(tiles),
        group=2,
    )


def mistakes(
    images: npt.ArrayLike,
    true: npt.ArrayLike,
    predicted: npt.ArrayLike,
    confidence: npt.ArrayLike,
    *,
    count: int = 40,
    title: str | None = None,
) -> Figure:
    """The `count` surest mistakes, the surest first, each as "true → predicted  probability".

    Parameters
    ----------
    images
        (N, H, W), the whole test set or its mistakes: cases that are right are left out.
    true
        N classes (numbers or names).
    predicted
        N classes.
    confidence
        (N,), the probability the model gave to the class it predicted.
    count
        How many mistakes are shown, at most.
    title
        Stands above the figure.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        The four do not have one length.

    Examples
    --------
    >>> import numpy as np
    >>> figure = mistakes(np.zeros((3, 8, 8)), [0, 1, 2], [0, 2, 1], [0.9, 0.8, 0.6])
    """
    pictures, sure = stack(images, "images"), numbers(confidence)
    truth, guess = np.asarray(true), np.asarray(predicted)
    lengths = (len(pictures), len(truth), len(guess), len(sure))
    if len(set(lengths)) != 1:
        raise ValueError(f"images, true, predicted and confidence must have one length; got {lengths}")
    wrong = np.flatnonzero(truth != guess)
    if wrong.size == 0:
        return message(f"No mistakes among {len(pictures)} cases.", title)
    surest = wrong[np.argsort(-sure[wrong], kind="stable")][:count]
    captions = [f"{truth[case]} → {guess[case]}  {sure[case]:.2f}" for case in surest]
    room = max(0.8, *(text_width(caption, SMALL) + 0.05 for caption in captions))
    columns = max(1, min(10, int((WIDTH - 2 * MARGIN) / room)))
    return image_grid(pictures[surest], columns=columns, captions=captions, title=title)


def fantasies(
    samples: npt.ArrayLike,
    title: str | None = None,
    *,
    steps: Sequence[int] | None = None,
    limits: tuple[float, float] | None = None,
    row: str = "chain",
    rows: Sequence[object] | None = None,
) -> Figure:
    """What the model dreams: one row per chain, its successive frames from left to right.

    Parameters
    ----------
    samples
        (chains, frames, H, W), or (N, H, W) for independent fantasies, which make a plain grid.
    steps
        Gibbs steps taken before each frame, written under the columns.
    limits
        The values drawn black and white; by default the smallest and largest over all frames.
    row
        What a row of frames is called, before its name.
    rows
        A name for each row; by default the numbers from 1.
    title
        Stands above the figure.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        The samples have another number of axes, the steps are not one a frame, or the names not one a row.

    Examples
    --------
    >>> import numpy as np
    >>> figure = fantasies(np.random.default_rng(0).random((3, 4, 8, 8)))
    """
    array = numbers(samples)
    if array.ndim == 3:
        if steps is not None:
            raise ValueError("steps belong to frames: give samples as (chains, frames, height, width)")
        columns = min(20, int(np.ceil(np.sqrt(1.6 * max(1, len(array))))))
        return image_grid(array, columns=columns, title=title, limits=limits)
    frames = stack(array, "samples", ndim=4)
    captions: list[list[str]] | None = None
    if steps is not None:
        if len(steps) != frames.shape[1]:
            raise ValueError(f"steps must be one for each of the {frames.shape[1]} frames; got {len(steps)}")
        captions = [[] for _ in range(len(frames) - 1)] + [[str(step) for step in steps]]
    if rows is not None and len(rows) != len(frames):
        raise ValueError(f"rows must name each of the {len(frames)} rows; got {len(rows)}")
    labels = [f"{row} {name}" for name in (rows if rows is not None else range(1, len(frames) + 1))]
    return draw(frames, title=title, limits=limits, captions=captions, caption_label="steps", row_labels=labels)
