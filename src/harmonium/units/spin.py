"""Units with states -1 and +1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from harmonium.units.biased import Biased
from harmonium.units.checks import check_finite, check_shape
from harmonium.units.given import NOTHING, Given, keep_present
from harmonium.units.sums import tally
from harmonium.units.uniform import uniform


class Spin(Biased):
    """Stochastic units with states -1 and +1 (Ising spins).

    Given the input x, a unit is +1 with probability σ(2 (b + x)), and its mean is tanh(b + x).

    Parameters
    ----------
    shape : int or sequence of int
        Number of units, or their shape.
    bias_shape : sequence of int, optional
        A shape that broadcasts to `shape`, where units share biases. By default each unit has its own bias.
    values : {"binary", "means"}
        What the data are. "binary": -1 or +1. "means": conditional means in [-1, 1], used as they are; uint8 grey levels then count as
        2 · level / 255 - 1.

    Raises
    ------
    ValueError
        For other `values`.

    Notes
    -----
    The energy is -b·v. The units are Bernoulli units after the change of variables v -> 2v - 1 (Freund & Haussler 1994), which changes
    the biases of both layers.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> units = hm.Spin(3)
    >>> units.mean(torch.tensor([-1.0, 0.0, 1.0])).detach()
    tensor([-0.7616,  0.0000,  0.7616])
    >>> bits = torch.tensor([[1.0, 0.0, 1.0]])
    >>> hm.RBM(units, hm.Spin(2)).free_energy(2 * bits - 1).shape
    torch.Size([1])
    """

    def __init__(
        self, shape: int | Sequence[int], *, bias_shape: Sequence[int] | None = None, values: Literal["binary", "means"] = "binary"
    ) -> None:
        super().__init__(shape, bias_shape=bias_shape)
        if values not in ("binary", "means"):
            raise ValueError(f'values must be "binary" or "means", found {values!r}')
        self.values: Literal["binary", "means"] = values

    def log_partition(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        """Σ log 2 cosh(b + x)."""
        total = input + self.bias
        return self.total(keep_present(F.softplus(2 * total, threshold=30.0) - total, given))

    def mean(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        return keep_present((input + self.bias).tanh_(), given)

    def variance(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        total = 2 * (input + self.bias)
        return keep_present(4 * torch.sigmoid(total) * torch.sigmoid(-total), given)

    def mode(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        return keep_present(2 * (input + self.bias > 0).to(input.dtype) - 1, given)

    @torch.no_grad()
    def sample(self, input: Tensor, *, generator: torch.Generator, given: Given = NOTHING, mean: Tensor | None = None) -> Tensor:
        p = torch.add(self.bias, input).mul_(2).sigmoid_() if mean is None else 0.5 * mean + 0.5
        u = uniform(input.shape, input, generator)
        return keep_present(torch.lt(u, p, out=u).mul_(2).sub_(1), given)

    def from_data(self, data: Tensor, like: Tensor) -> Tensor:
        if data.dtype == torch.uint8 and self.values == "means":
            return torch.div(data.to(like.device), 127.5).sub_(1).to(like.dtype)
        return super().from_data(data, like)

    def check(self, states: Tensor) -> None:
        self._check(states, self.values)

    def check_states(self, states: Tensor) -> None:
        self._check(states, "binary")

    def _check(self, states: Tensor, values: Literal["binary", "means"]) -> None:
        check_shape("Spin", states, self.shape)
        check_finite("Spin", states)
        if values == "means" and states.dtype == torch.uint8:
            return
        if values == "means" and states.dtype != torch.bool:
            low, high = states.min().item(), states.max().item()
            if low < -1 or high > 1:
                raise ValueError(f"Spin units expect means between -1 and 1, found values from {low:g} to {high:g}")
            return
        wrong = torch.ones_like(states) if states.dtype == torch.bool else (states != 1) & (states != -1)
        if bool(wrong.any()):
            found = "true or false" if states.dtype == torch.bool else f"{states[wrong].flatten()[0].item():g}"
            raise ValueError(
                f"Spin units expect -1 or +1, found {found}; 2 * x - 1 turns binary data into signs, and "
                'Spin(..., values="means") takes means between -1 and 1'
            )

    @torch.no_grad()
    def init_from(self, data: Tensor, weights: Tensor | None = None) -> None:
        """Sets b = ½ log(p / (1 - p)), p the share of +1, with Laplace's rule, so that b is finite."""
        total, cases = tally(data.to(self.bias.dtype), weights, self.bias)
        self.bias.copy_(0.5 * torch.logit(((total + cases) / 2 + 1) / (cases + 2)))

    def base_input(self, mean: Tensor) -> Tensor:
        return 0.5 * torch.logit((mean + 1) / 2, eps=1e-3) - self.bias.detach()

    def max_interaction(self, weights: Tensor, given: Given = NOTHING) -> Tensor:
        return weights.abs().sum(0)

    @property
    def count(self) -> float:
        count: int = 2 ** torch.Size(self.shape).numel()  # an exact integer: a float overflows at 1024 units
        return count

    def states(self, numbers: Tensor) -> Tensor:
        places = torch.arange(torch.Size(self.shape).numel(), device=numbers.device)
        return (2 * ((numbers[:, None] >> places) & 1) - 1).to(self.bias.dtype).reshape(-1, *self.shape)

    def as_visible_layer(self) -> Self:
        return type(self)(self.shape, bias_shape=self.bias_shape, values="means")

    def arguments(self) -> dict[str, object]:
        return {"shape": self.shape, "bias_shape": self.bias_shape, "values": self.values}
