"""A net, and images for it to see, as the page's one file."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor

from harmonium.data.tables import as_tensor
from harmonium.files import write_atomically
from harmonium.models import DBM, DBN, RBM
from harmonium.units import Unit

from .document import document
from .layered import layered
from .packed import Block, Weights, net_header

MOST_IMAGES = 100  # of the data, inside the page


def page(
    model: RBM | DBN | DBM,
    path: str | os.PathLike[str],
    *,
    images: Any = None,
    labels: Any = None,
    shape: Sequence[int] | None = None,
    classes: Sequence[str] | None = None,
    title: str = "A net that perceives and dreams",
    weights: Weights = "int8",
) -> Path:
    """Writes a net as one interactive HTML file: its units live, as it perceives, dreams, completes and removes noise.

    The file needs no server, no network and nothing beside it. All arithmetic runs in the reader's browser.

    Parameters
    ----------
    model : RBM, DBN or DBM
        A net of binary units. Its data may also be Gaussian.
    path : str or path-like
        The HTML file. A file of this name is replaced.
    images : array-like, optional
        (cases, pixels) or (cases, *shape), data as the model's visible units take them, uint8 grey levels included. The page offers the
        first 100, or the first ten of each label.
    labels : array-like, optional
        (cases,) integers from 0, the true class of each image.
    shape : sequence of int, optional
        (height, width), or (colours, height, width) with 1 or 3 planes of colour. By default that of the visible units or of the images,
        or else a square.
    classes : sequence of str, optional
        Name of each label. By default its number.
    title : str
        The page's heading.
    weights : {"int8", "float16"}
        "int8": one byte per weight, with a scale for each row. "float16": two bytes.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    TypeError
        For a model, units or a coupling that the page cannot show.
    ValueError
        For images, labels, a shape or names that do not fit.

    Notes
    -----
    The modes follow Hinton, Osindero & Teh (2006): an up-pass and the labels' free energies, a label clamped in the top RBM, and what is
    on the net's mind. Completion is that of `hm.sampling.complete`, and noise is removed as `hm.sampling.remove_noise` does.

    Examples
    --------
    >>> import harmonium as hm
    >>> digits = hm.data.digits.load()
    >>> rbm = hm.RBM(hm.Bernoulli(64, values="probabilities"), 30)
    >>> path = hm.report.page(rbm, "digits.html", images=digits.test_images, labels=digits.test_labels)
    >>> path.name, path.stat().st_size < 200_000
    ('digits.html', True)
    """
    if weights not in get_args(Weights):
        raise ValueError(f'weights are "int8" or "float16", found {weights!r}')
    net, block = layered(model), Block()
    header = net_header(net, block, weights)
    count = 0 if net.labels is None else len(net.labels[1])
    header |= {"title": title, "shape": _shape(model.visible, shape, images), "classes": _names(classes, count)}
    header |= _pictures(model.visible, images, labels, block, real=net.variance is not None)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_atomically(Path(path), document(header, block.text()).encode())
    return Path(path)


def _names(classes: Sequence[str] | None, count: int) -> list[str]:
    if classes is not None and len(classes) != count:
        raise ValueError(f"classes= names each of the net's {count} labels, found {len(classes)} names")
    return [str(number) for number in range(count)] if classes is None else list(classes)


def _shape(visible: Unit, shape: Sequence[int] | None, images: Any) -> list[int]:
    """(colours, height, width)."""
    pixels = math.prod(visible.shape)
    side = math.isqrt(pixels)
    of_images = tuple(as_tensor(images).shape[1:]) if images is not None else ()
    known = [tuple(shape)] if shape is not None else [visible.shape, of_images, (side, side)]
    for each in known:
        found = (1, *each) if len(each) == 2 else each
        if len(found) == 3 and found[0] in (1, 3) and math.prod(found) == pixels:
            return list(found)
    raise ValueError(f"shape= is (height, width) or (colours, height, width) of {pixels} pixels, with 1 or 3 colours, found {shape}")


def _pictures(visible: Unit, images: Any, labels: Any, block: Block, *, real: bool) -> dict[str, Any]:
    """Images that the page offers, and the values that are drawn as black and white."""
    spread = 2.0 if real else 0.0
    if images is None:
        return {"images": None, "truth": None, "limits": [-spread, spread] if real else [0, 1]}
    rows = as_tensor(images)
    rows = rows.reshape(len(rows), *visible.shape) if rows[:1].numel() == math.prod(visible.shape) else rows
    truth = None if labels is None else as_tensor(labels)
    if truth is not None and (truth.shape != (len(rows),) or truth.is_floating_point()):
        raise ValueError(f"labels= is one integer for each of the {len(rows)} images, found shape {tuple(truth.shape)} of {truth.dtype}")
    chosen = _chosen(len(rows), truth)
    visible.check(rows[chosen])
    some = visible.from_data(rows[chosen], torch.empty(0)).flatten(1)
    limits = [float(some.min()), float(some.max())] if real else [0, 1]
    packed = block.add(some, "float16") if real else block.add(torch.round(255 * some), "uint8")
    return {"images": packed, "truth": None if truth is None else truth[chosen].tolist(), "limits": limits}


def _chosen(cases: int, truth: Tensor | None) -> list[int]:
    """The first cases, as many of each class."""
    if truth is None:
        return list(range(min(cases, MOST_IMAGES)))
    seen: dict[int, int] = {}
    each, found = max(1, MOST_IMAGES // max(1, len(set(truth.tolist())))), []
    for case, label in enumerate(truth.tolist()):
        seen[label] = seen.get(label, 0) + 1
        if seen[label] <= each:
            found.append(case)
    return found[:MOST_IMAGES]
