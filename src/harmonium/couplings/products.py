"""Products of statistics with weights, in the precision that is in effect."""

from __future__ import annotations

from contextvars import ContextVar
from types import TracebackType
from typing import Literal, Self

import torch
from torch import Tensor, nn

Precision = Literal["float32", "bfloat16", "auto"]


class Reduced:
    """A context in which products with weights are taken in a shorter type, and added up in float32.

    Factors and results are rounded; results are then float32 again. Weights are rounded once at each entry into a copy that is kept, and
    again if they change inside. Parameters and gradients stay as they are. The binary states 0 and 1 are exact in every type. Products
    outside the context, and those of float64 machines, are not changed.

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
        self._buffers: dict[tuple[str, torch.Size, torch.device], Tensor] = {}
        self._outer: list[Reduced | None] = []

    def __enter__(self) -> Self:
        self._outer.append(_in_effect.get())
        self._versions.clear()  # not every optimiser's kernel counts its changes
        _in_effect.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _in_effect.set(self._outer.pop())

    def rounded(self, weight: nn.Parameter) -> Tensor:
        """The weights in the shorter type; rounded anew if they have changed."""
        if weight not in self._copies:
            self._copies[weight] = torch.empty_like(weight, dtype=self.dtype, requires_grad=False)
        copy = self._copies[weight]
        if self._versions.get(weight) != weight._version:
            copy.copy_(weight.detach())
            self._versions[weight] = weight._version
        return copy

    def factor(self, name: str, values: Tensor) -> Tensor:
        """Values in the shorter type, in a buffer that the next factor of this name and shape overwrites."""
        return self.buffer(name, values.shape, values.device).copy_(values)

    def buffer(self, name: str, shape: torch.Size, device: torch.device) -> Tensor:
        """A kept buffer: large ones are dear to allocate at every update."""
        key = name, shape, device
        if key not in self._buffers:
            self._buffers[key] = torch.empty(shape, dtype=self.dtype, device=device)
        return self._buffers[key]


_in_effect: ContextVar[Reduced | None] = ContextVar("reduced", default=None)


def _reduced(like: Tensor) -> Reduced | None:
    return _in_effect.get() if like.dtype == torch.float32 and not torch.is_grad_enabled() else None


def times(rows: Tensor, weight: nn.Parameter, *, transposed: bool = False) -> Tensor:
    """rows · W, or rows · W' if `transposed`: (*leading, columns)."""
    reduced = _reduced(weight)
    if reduced is None:
        return rows @ (weight.T if transposed else weight)
    copy = reduced.rounded(weight)
    return (reduced.factor("rows", rows) @ (copy.T if transposed else copy)).float()


def add_product(parameter: nn.Parameter, left: Tensor, right: Tensor, *, scale: float, fresh: bool, weights: Tensor | None = None) -> None:
    """Adds -scale · left' diag(weights) right to the parameter's `.grad`; overwrites it if `fresh`.

    Parameters
    ----------
    parameter : torch.nn.Parameter
        (rows, columns). A frozen one (`requires_grad` false) is skipped.
    left, right : torch.Tensor
        (cases, rows) and (cases, columns).
    scale : float
        The factor of the sum.
    fresh : bool
        Whether to replace the gradient.
    weights : torch.Tensor, optional
        One per case, in any shape; ones by default.
    """
    if not parameter.requires_grad:
        return
    if parameter.grad is None:
        parameter.grad, fresh = torch.empty_like(parameter), True
    reduced = _reduced(parameter)
    if reduced is None:
        right = right if weights is None else right * weights.reshape(-1, 1)
        parameter.grad.addmm_(left.T, right, beta=0.0 if fresh else 1.0, alpha=-scale)
        return
    found = reduced.buffer("product", parameter.shape, parameter.device)
    short = reduced.buffer("right", right.shape, right.device)
    _ = short.copy_(right) if weights is None else torch.mul(right, weights.reshape(-1, 1), out=short)
    torch.mm(reduced.factor("left", left).T, short, out=found)
    if fresh:
        torch.mul(found, -scale, out=parameter.grad)
    else:
        parameter.grad.add_(found, alpha=-scale)


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
