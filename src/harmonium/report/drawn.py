"""What figures are made of and made into: any array becomes float64, and a figure becomes a PNG."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from harmonium.data.tables import as_tensor

DPI = 110


class Page(Figure):
    """A matplotlib figure that notebooks show, without pyplot and its magic commands."""

    def _repr_png_(self) -> bytes:
        return as_png(self)


def as_png(figure: Figure) -> bytes:
    """The figure as a PNG. The same figure gives the same bytes after an upgrade of the drawing program that draws alike."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def numbers(values: Any) -> npt.NDArray[np.float64]:
    """Anything with numbers as float64: parameters that require a gradient, tensors of a GPU, lists of tensors, frames, arrays."""
    try:
        return as_tensor(values).numpy(force=True).astype(np.float64)
    except TypeError:  # of bfloat16 tensors, which NumPy lacks
        return as_tensor(values).double().numpy(force=True)
