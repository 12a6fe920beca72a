"""Products of statistics with weights, in the precision that is in effect."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Literal, Self

import torch
from torch import Tensor, nn

from harmonium.units.sums import add_to_grad

Precision = Literal["float32", "bfloat16", "auto"]
Multiply = Callable[[Tensor, Tensor, Tensor], None]


class Reduced:
    """A context in which products with weights are taken in a shorter type, and added up in float32.

    Factors and results are rounded; results are then float32 again. Weights are rounded once at each entry into a copy that is kept, and
    again if they change inside. All terms of a gradient are multiplied at once when the context ends, so a difference of averages is
    rounded once, relative to itself: read `.grad` after it. Parameters and gradients stay as they are. The binary states 0 and 1 are exact
    in every type. Products outside the context, and those of float64 machines, are not changed.

    Parameters
    ----------
    dtype : torch.dtype, default torch.bfloat16
        The shorter type.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> from harmonium.couplings.products import Reduced
    >>> rbm, v = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), hm.Dense(6, 4, scale=1.0)), torch.eye(6)
    >>> with torch.no_grad(), Reduced():
    ...     short = rbm.hidden_input(v)
    >>> short.dtype, torch.equal(short, rbm.coupling.weight.bfloat16().float()), torch.equal(short, rbm.hidden_input(v))
    (torch.float32, True, False)
    """

    def __init__(self, dtype: torch.dtype = torch.bfloat16) -> None:
        self.dtype = dtype
        self._copies: dict[nn.Parameter, Tensor] = {}
        self._versions: dict[nn.Parameter, int] = {}
        self._buffers: dict[tuple[torch.Size, torch.device], Tensor] = {}
        self._sums: dict[nn.Parameter, SumOfProducts] = {}
        self._outer: list[Reduced | None] = []

    def __enter__(self) -> Self:
        self._outer.append(_in_effect.get())
        self._versions.clear()  # not every optimiser's kernel counts its changes
        _in_effect.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _in_effect.set(self._outer.pop())
        for total in self._sums.values():
            if error is None:
                total.finish()
            total.clear()

    def rounded(self, weight: nn.Parameter) -> Tensor:
        """The weights in the shorter type; rounded anew if they have changed."""
        if weight not in self._copies:
            self._copies[weight] = torch.empty_like(weight, dtype=self.dtype, requires_grad=False)
        copy = self._copies[weight]
        if self._versions.get(weight) != weight._version:
            copy.copy_(weight.detach())
            self._versions[weight] = weight._version
        return copy

    def factor(self, values: Tensor) -> Tensor:
        """Values in the shorter type, in a kept buffer that the next factor of this shape overwrites."""
        key = values.shape, values.device
        if key not in self._buffers:
            self._buffers[key] = torch.empty(values.shape, dtype=self.dtype, device=values.device)
        return self._buffers[key].copy_(values)

    def sum_of(self, parameter: nn.Parameter, multiply: Multiply) -> SumOfProducts:
        """The terms of the parameter's gradient that this context has gathered."""
        if parameter not in self._sums:
            self._sums[parameter] = SumOfProducts(parameter, self.dtype, multiply)
        return self._sums[parameter]


class SumOfProducts:
    """A gradient's terms scale · left' right: their factors are gathered in the shorter type, and multiplied at once.

    Parameters
    ----------
    parameter : torch.nn.Parameter
        Its `.grad` receives the sum.
    dtype : torch.dtype
        The shorter type.
    multiply : callable
        Writes the product of (*leading, cases, rows) and (*leading, cases, columns) into a tensor like the parameter.
    """

    def __init__(self, parameter: nn.Parameter, dtype: torch.dtype, multiply: Multiply) -> None:
        self.parameter, self.product = parameter, torch.empty_like(parameter, dtype=dtype, requires_grad=False)
        self.multiply = multiply
        self.left = self.right = self.product.new_empty(0)
        self.clear()

    def clear(self) -> None:
        """Forget all terms."""
        self.cases, self.fresh = 0, False

    def add(self, left: Tensor, right: Tensor, weights: Tensor | None, *, scale: float, fresh: bool) -> None:
        """Gather one term; those before it are forgotten if `fresh`."""
        if fresh:
            self.clear()
            self.fresh = True
        if self.left.dim() < left.dim():  # the first rows
            self.left, self.right = (self.product.new_empty(*rows.shape[:-2], 0, rows.shape[-1]) for rows in (left, right))
        first, last = self.cases, self.cases + left.shape[-2]
        if last > self.left.shape[-2]:
            more = zip((self.left, self.right), (left, right), strict=True)
            self.left, self.right = (torch.cat([kept[..., :first, :], kept.new_empty(rows.shape)], -2) for kept, rows in more)
        self.left[..., first:last, :].copy_(left)
        self.right[..., first:last, :].copy_(weighted(right, weights)).mul_(scale)
        self.cases = last

    def finish(self) -> None:
        """Add the sum to the gradient, or overwrite it."""
        grad = self.parameter.grad
        assert grad is not None
        if self.cases:
            self.multiply(self.left[..., : self.cases, :], self.right[..., : self.cases, :], self.product)
        elif self.fresh:
            self.product.zero_()
        if self.fresh:
            grad.copy_(self.product)
        elif self.cases:
            grad.add_(self.product)


def matrix_product(left: Tensor, right: Tensor, out: Tensor) -> None:
    """left' right."""
    torch.matmul(left.mT, right, out=out)


_in_effect: ContextVar[Reduced | None] = ContextVar("reduced", default=None)


def _reduced(like: Tensor) -> Reduced | None:
    return _in_effect.get() if like.dtype == torch.float32 and not torch.is_grad_enabled() else None


def times(rows: Tensor, weight: nn.Parameter, *, transposed: bool = False) -> Tensor:
    """rows · W, or rows · W' if `transposed`: (*leading, columns). Of replicas, both have an axis of them first."""
    reduced = _reduced(weight)
    if reduced is None:
        return rows @ (weight.mT if transposed else weight)
    copy = reduced.rounded(weight)
    return (reduced.factor(rows) @ (copy.mT if transposed else copy)).float()


def factors(values: Tensor, weight: nn.Parameter) -> tuple[Tensor, Tensor]:
    """What a product other than `times` multiplies: both as they are, or in the shorter type that is in effect, for use at once."""
    reduced = _reduced(weight)
    return (values, weight) if reduced is None else (reduced.factor(values), reduced.rounded(weight))


def weighted(rows: Tensor, weights: Tensor | None) -> Tensor:
    """Rows times their weights, one per row in any shape."""
    return rows if weights is None else rows * weights.reshape(*rows.shape[:-1], 1)


def add_product(
    parameter: nn.Parameter,
    left: Tensor,
    right: Tensor,
    *,
    scale: float,
    fresh: bool,
    weights: Tensor | None = None,
    multiply: Multiply | None = None,
) -> None:
    """Adds -scale · left' diag(weights) right to the parameter's `.grad`; overwrites it if `fresh`. In `Reduced`, it does so at the end.

    Parameters
    ----------
    parameter : torch.nn.Parameter
        (rows, columns), or (replicas, rows, columns); of any shape with `multiply`. A frozen one (`requires_grad` false) is skipped.
    left, right : torch.Tensor
        (cases, rows) and (cases, columns), of replicas with an axis of them first.
    scale : float
        The factor of the sum.
    fresh : bool
        Whether to replace the gradient.
    weights : torch.Tensor, optional
        One per case, in any shape; ones by default.
    multiply : callable, optional
        Another product of (cases, rows) and (cases, columns), linear in both: writes it into its third argument.
    """
    if not parameter.requires_grad:
        return
    if parameter.grad is None:
        parameter.grad, fresh = torch.empty_like(parameter), True
    reduced = _reduced(parameter)
    if reduced is not None:
        reduced.sum_of(parameter, multiply or matrix_product).add(left, right, weights, scale=-scale, fresh=fresh)
    elif multiply is not None:
        multiply(left, weighted(right, weights), total := torch.empty_like(parameter))
        add_to_grad(parameter, total, scale=-scale, fresh=fresh)
    else:
        add = parameter.grad.addmm_ if parameter.dim() == 2 else parameter.grad.baddbmm_
        add(left.mT, weighted(right, weights), beta=0.0 if fresh else 1.0, alpha=-scale)


def reduced_type(precision: Precision, like: Tensor) -> torch.dtype | None:
    """The type that factors are rounded to, for parameters like `like`; None for full precision.

    Raises ValueError for another word. "auto" takes bfloat16 for float32 parameters on a processor that multiplies it.
    """
    if precision not in ("float32", "bfloat16", "auto"):
        raise ValueError(f'precision is "float32", "bfloat16" or "auto", found {precision!r}')
    if precision == "float32" or like.dtype != torch.float32 or (precision == "auto" and not multiplies_bfloat16(like.device)):
        return None
    return torch.bfloat16


def described_type(precision: Precision, like: Tensor) -> str:
    """The name of the type of the factors, as a setting of a training; "float32" stands for full precision."""
    dtype = reduced_type(precision, like)
    return "float32" if dtype is None else str(dtype).removeprefix("torch.")


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for products of bfloat16 numbers: AVX512-BF16 or AMX, or a GPU's."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):
        return False
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))
