"""One utterance: its wave, and pictures of its features along time."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .drawn import numbers
from .style import HAIR, INK, LABEL, LINES, MUTED, SMALL, WIDTH, page, quiet

_LEFT, _RIGHT, _BELOW = 0.55, 0.15, 0.45
_WAVE, _PICTURE, _GAP = 0.9, 1.25, 0.3


def utterance(
    samples: Any, rate: int, features: Mapping[str, Any], *, shift: float = 0.010, length: float = 0.025, title: str | None = None
) -> Figure:
    """The wave of an utterance above its features, all on one axis of time.

    Parameters
    ----------
    samples
        (samples,), the wave.
    rate
        Samples per second.
    features
        Name -> (frames, features), drawn as a picture, feature 1 at the bottom, darker for more.
    shift
        From a frame to the next, in seconds.
    length
        Of a frame, in seconds: a frame is drawn about its middle.
    title
        Stands above the figure.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        The samples are not one row of numbers, or features are not (frames, features).

    Examples
    --------
    >>> import numpy as np
    >>> from harmonium.report import utterance
    >>> figure = utterance(np.sin(np.arange(800)), 8000, {"energy": np.ones((8, 1))})
    >>> [axes.get_title(loc="left") for axes in figure.axes]
    ['wave', 'energy']
    """
    wave = numbers(samples)
    pictures = {name: numbers(each) for name, each in features.items()}
    if wave.ndim != 1 or not len(wave) or any(each.ndim != 2 or not each.size for each in pictures.values()):
        shapes = ", ".join(f"{name} of {each.shape}" for name, each in pictures.items())
        raise ValueError(f"an utterance is drawn from (samples,) and (frames, features), found {wave.shape} and {shapes or 'no features'}")
    under = _WAVE + len(pictures) * (_PICTURE + _GAP) + _GAP + _BELOW
    figure, head = page(WIDTH, under, title)
    width, total = figure.get_size_inches()
    top = total - head - _GAP + 0.1
    for name, each in {"wave": None, **pictures}.items():
        height = _WAVE if each is None else _PICTURE
        axes = figure.add_axes((_LEFT / width, (top - height) / total, (width - _LEFT - _RIGHT) / width, height / total))
        top -= height + _GAP
        quiet(axes)
        if each is None:
            axes.plot(np.arange(len(wave)) / rate, wave, color=LINES[0], linewidth=0.5)
        else:
            start = (length - shift) / 2
            ends = (start, start + shift * len(each), 0.5, each.shape[1] + 0.5)
            low, high = np.quantile(each, (0.01, 0.99))
            axes.imshow(each.T, cmap="Greys", aspect="auto", origin="lower", extent=ends, vmin=low, vmax=high, interpolation="nearest")
            axes.grid(False)
            axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.set_xlim(0, len(wave) / rate)
        axes.tick_params(labelbottom=False)
        axes.set_title(name, fontsize=LABEL, color=INK, loc="left", pad=3)
    axes.tick_params(labelbottom=True)
    axes.set_xlabel("seconds", fontsize=SMALL, color=MUTED)
    axes.spines["bottom"].set_color(HAIR)
    return figure
