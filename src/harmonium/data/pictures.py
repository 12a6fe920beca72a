"""Image files: their size is looked at before they are decoded, and nothing but the kinds that are expected is decoded at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 1 << 24


def decoded(source: Path | IO[bytes], kinds: Sequence[str], size: tuple[int, int] | None = None) -> np.ndarray[Any, Any]:
    """The pixels of an image, (height, width) or (height, width, planes), as they are stored.

    Parameters
    ----------
    source : pathlib.Path or a file
        The image.
    kinds : sequence of str
        Pillow's names of the formats that it may have, such as "PNG".
    size : tuple of int, optional
        Its (height, width), if it can have no other. By default at most 2^24 pixels.

    Raises
    ------
    ValueError
        For a file that is no such image, is damaged or has another size.
    """
    with opened(source, kinds, size) as image:
        return np.asarray(image)


@contextmanager
def opened(source: Path | IO[bytes], kinds: Sequence[str], size: tuple[int, int] | None = None) -> Iterator[Image]:
    """An image that is not decoded yet, for pixels in another mode. Parameters and errors are those of `decoded`."""
    from PIL import Image  # which matplotlib, too, reads with; here, so that importing the package does not wait for it

    try:
        with Image.open(source, formats=list(kinds)) as image:
            width, height = image.size
            if size is None and width * height > MOST_PIXELS:
                raise ValueError(f"it has {width} x {height} pixels, and at most {MOST_PIXELS:,} are read")
            if size is not None and (height, width) != size:
                raise ValueError(f"{size[0]} x {size[1]} pixels are expected, found {height} x {width}")
            yield image
    except Exception as fault:  # the readers may raise any exception, depending on the bytes
        raise ValueError(str(fault)) from fault
