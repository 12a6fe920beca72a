"""Chains as an animated picture."""

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image  # which matplotlib, too, writes its pictures with

from .style import DPI, WIDTH
from .tiles import colour_limits, in_rows, mosaic, stack

_TILE = 84  # dots that the longer side of a tile may cover


@dataclass(frozen=True)
class Film:
    """An animated picture, for a section of the report or a file of its own.

    Attributes
    ----------
    moving
        The film, an animated PNG; a program that knows of none shows its first frame.
    still
        Its last frame, a PNG, for paper and for readers who asked for less motion.
    """

    moving: bytes
    still: bytes

    def _repr_png_(self) -> bytes:
        return self.moving


def film(
    frames: npt.ArrayLike,
    *,
    columns: int = 10,
    limits: tuple[float, float] | None = None,
    seconds: float = 0.15,
    hold: float = 1.5,
) -> Film:
    """What the model dreams, as it moves: each chain a tile of a grid, row by row, all of them side by side in every frame.

    Parameters
    ----------
    frames
        (chains, frames, H, W); of each chain in order.
    columns
        Chains in a row: one row per class, where each class has as many chains.
    limits
        The values drawn black and white; by default the smallest and largest over all frames. What is not finite is left white.
    seconds
        That a frame is shown; frames that are equal to the one before only lengthen it.
    hold
        How long the last is shown, in seconds, before the film begins anew.

    Returns
    -------
    Film
        An animated PNG, and its last frame.

    Raises
    ------
    ValueError
        The frames have another number of axes, or the times are not above zero.

    Examples
    --------
    >>> import numpy as np
    >>> found = film(np.random.default_rng(0).random((4, 3, 8, 8)), columns=2)
    >>> found.still[:4]
    b'\\x89PNG'
    """
    array = stack(frames, "frames", ndim=4)
    if not (seconds > 0 and hold > 0):
        raise ValueError(f"a frame is shown for more than 0 seconds; got {seconds=} and {hold=}")
    low, high = limits if limits is not None else colour_limits(array, diverging=False)
    images = [_image((array[:, time] - low) / (high - low), columns) for time in range(array.shape[1])]
    times = [round(1000 * seconds)] * (len(images) - 1) + [round(1000 * hold)]
    return Film(_png(images, times), _png(images[-1:], times[-1:]))


def _image(tiles: npt.NDArray[np.float64], columns: int) -> Image.Image:
    """(chains, H, W) from 0, black, to 1, white, as one grey picture whose gaps are white."""
    rows = in_rows(tiles, columns)
    sheet, _, _ = mosaic(rows, 1, [1] * len(rows))
    grey = np.rint(255 * np.clip(np.where(np.isfinite(sheet), sheet, 1.0), 0.0, 1.0)).astype(np.uint8)
    scale = max(1, min(_TILE // max(tiles.shape[1:]), int(WIDTH * DPI) // grey.shape[1]))
    return Image.fromarray(grey.repeat(scale, axis=0).repeat(scale, axis=1))


def _png(images: list[Image.Image], times: list[int]) -> bytes:
    buffer = io.BytesIO()
    moving = {"save_all": True, "append_images": images[1:], "duration": times, "loop": 0} if len(images) > 1 else {}
    images[0].save(buffer, format="PNG", optimize=True, **moving)
    return buffer.getvalue()
