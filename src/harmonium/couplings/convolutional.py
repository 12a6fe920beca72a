"""Hidden units that share their weights across positions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.grad import conv1d_weight, conv2d_weight

from harmonium.couplings.coupling import Coupling, as_shape, rows
from harmonium.couplings.products import add_product, factors
from harmonium.units import NOTHING, Given

VECTOR = 16  # float32 numbers in a processor's widest register
AT_ONCE = 2**19  # numbers that a cache holds


class Convolutional(Coupling):
    """A convolution: each hidden channel has one kernel, which is moved over a signal or an image.

    Parameters
    ----------
    visible : sequence of int
        (C, length) or (C, height, width).
    channels : int
        K, the number of hidden channels.
    kernel, stride, padding : int or sequence of int
        One number, or one for each axis. The padding is of zeros on both sides.
    scale : float
        The standard deviation of the initial weights, drawn from N(0, scale²).
    seed : int
        The seed of the coupling's own generator.

    Attributes
    ----------
    weight : torch.nn.Parameter
        (K, C, *kernel).
    hidden : tuple of int
        (K, *positions), the shape of the hidden statistic.

    Raises
    ------
    ValueError
        For a kernel larger than the padded image, and for other shapes and numbers than those above.

    Notes
    -----
    The interaction is Σ s_h[k, p] · weight[k, c, u] · s_v[c, stride · p + u - padding] over k, c, p and u (Lee, Grosse, Ranganath & Ng
    2009, doi:10.1145/1553374.1553453; Desjardins & Bengio 2008). The map to the visible layer is the exact transpose; visible places that
    no kernel covers get an input of zero.

    Biases belong to the units: one for each position by default, one for each channel with `bias_shape=(K, 1, 1)`.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> coupling = hm.Convolutional((1, 28, 28), 32, kernel=9)
    >>> coupling.hidden
    (32, 20, 20)
    >>> visible = hm.Bernoulli((1, 28, 28), bias_shape=(1, 1, 1))
    >>> rbm = hm.RBM(visible, hm.Bernoulli(coupling.hidden, bias_shape=(32, 1, 1)), coupling)
    >>> rbm.free_energy(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2])
    """

    def __init__(
        self,
        visible: Sequence[int],
        channels: int,
        *,
        kernel: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        scale: float = 0.01,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.visible = as_shape(visible)
        if len(self.visible) not in (2, 3) or min(self.visible) < 1:
            raise ValueError(f"a convolution takes a visible shape (C, length) or (C, height, width), found {self.visible}")
        if channels < 1:
            raise ValueError(f"a convolution has at least one hidden channel, found {channels}")
        spatial = self.visible[1:]
        self.channels = channels
        self.kernel = _each_axis("kernel", kernel, len(spatial), least=1)
        self.stride = _each_axis("stride", stride, len(spatial), least=1)
        self.padding = _each_axis("padding", padding, len(spatial), least=0)
        room = [size + 2 * pad - width for size, pad, width in zip(spatial, self.padding, self.kernel, strict=True)]
        if min(room) < 0:
            padded = tuple(size + 2 * pad for size, pad in zip(spatial, self.padding, strict=True))
            raise ValueError(f"the kernel must fit into the padded image: expected at most {padded}, found {self.kernel}")
        self.hidden = (channels, *(left // step + 1 for left, step in zip(room, self.stride, strict=True)))
        self.remainder = tuple(left % step for left, step in zip(room, self.stride, strict=True))  # the last places, which no kernel covers
        weight = torch.empty(channels, self.visible[0], *self.kernel)
        self.weight = nn.Parameter(weight.normal_(std=scale, generator=torch.Generator().manual_seed(seed)))

    def to_hidden(self, s_v: Tensor, given: Given = NOTHING) -> Tensor:
        images, weight = factors(_images(s_v, self.visible), self.weight)
        convolve = F.conv1d if len(self.kernel) == 1 else F.conv2d
        found = convolve(images, weight, stride=self.stride, padding=self.padding).to(self.weight.dtype)
        return found.reshape(*s_v.shape[: s_v.dim() - len(self.visible)], *self.hidden)

    def to_visible(self, s_h: Tensor, given: Given = NOTHING) -> Tensor:
        maps, weight = factors(_images(s_h, self.hidden), self.weight)
        if self.visible[0] < VECTOR and maps.device.type == "cpu":  # whose kernels for vectors of channels would stand idle
            found = self._folded(maps, weight)
        else:
            convolve = F.conv_transpose1d if len(self.kernel) == 1 else F.conv_transpose2d
            found = convolve(maps, weight, stride=self.stride, padding=self.padding, output_padding=self.remainder).to(self.weight.dtype)
        return found.reshape(*s_h.shape[: s_h.dim() - len(self.hidden)], *self.visible)

    def _folded(self, maps: Tensor, weight: Tensor) -> Tensor:
        """The transpose as one product, of what each place sends to each pixel under its kernel, and a sum: a few images at a time."""
        columns, places = weight.flatten(1).mT, math.prod(self.hidden[1:])
        spread = partial(F.fold, output_size=_plane(self.visible[1:], 1), kernel_size=_plane(self.kernel, 1))
        spread = partial(spread, stride=_plane(self.stride, 1), padding=_plane(self.padding, 0))
        parts = torch.split(maps.flatten(2), max(1, AT_ONCE // (len(columns) * places)))
        return torch.cat([spread((columns @ part).to(self.weight.dtype)) for part in parts])

    @torch.no_grad()
    def accumulate_gradient(
        self, s_v: Tensor, s_h: Tensor, *, weights: Tensor | None, scale: float, fresh: bool, given: Given = NOTHING
    ) -> None:
        add_product(
            self.weight,
            rows(s_v, self.visible),
            rows(s_h, self.hidden),
            weights=weights,
            scale=scale,
            fresh=fresh,
            multiply=self._correlate,
        )

    def _correlate(self, images: Tensor, maps: Tensor, out: Tensor) -> None:
        """Into `out`: the sum over cases and positions of what each weight joins."""
        correlate = conv1d_weight if len(self.kernel) == 1 else conv2d_weight
        images, maps = images.reshape(-1, *self.visible), maps.reshape(-1, *self.hidden)
        out.copy_(correlate(images, out.shape, maps, self.stride, self.padding))  # type: ignore[no-untyped-call]

    def scales(self, visible: Tensor | float, hidden: Tensor | float) -> dict[str, Tensor | float]:
        """Uses the root mean square over the positions of each channel, because they share the weights."""
        column, row = (
            each.reshape(shape[0], -1).square().mean(1).sqrt().reshape(-1, *[1] * axes) if isinstance(each, Tensor) else each
            for each, shape, axes in ((hidden, self.hidden, len(self.kernel) + 1), (visible, self.visible, len(self.kernel)))
        )
        return {"weight": column * row}

    def arguments(self) -> dict[str, object]:
        return {
            "visible": self.visible,
            "channels": self.channels,
            "kernel": self.kernel,
            "stride": self.stride,
            "padding": self.padding,
        }

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.arguments().items())


def _each_axis(name: str, value: int | Sequence[int], axes: int, *, least: int) -> tuple[int, ...]:
    found = (value,) * axes if isinstance(value, int) else tuple(value)
    if len(found) != axes or min(found) < least:
        raise ValueError(f"the {name} of a convolution is a number of at least {least}, or {axes} of them, found {value}")
    return found


def _plane(sizes: tuple[int, ...], missing: int) -> tuple[int, ...]:
    """Those of the two axes of an image: a signal is one of a single row."""
    return (missing,) * (2 - len(sizes)) + sizes


def _images(statistic: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Reshapes (*leading, *shape) to (cases, *shape), the form that torch's convolutions take."""
    leading = statistic.shape[: statistic.dim() - len(shape)]
    return statistic.reshape(math.prod(leading), *shape)
