"""Probabilistic max-pooling."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from harmonium.units.bernoulli import Bernoulli
from harmonium.units.biased import Biased
from harmonium.units.checks import check_finite, check_shape
from harmonium.units.given import NOTHING, Given, keep_present
from harmonium.units.sums import tally
from harmonium.units.uniform import uniform


class PooledBlocks(Biased):
    """Probabilistic max-pooling: binary detection units in blocks, at most one unit of a block on.

    A block is a softmax with an off state. The next machine of a stack sees the pooled map: one binary unit per block, which is on where
    any unit of the block is.

    Parameters
    ----------
    shape : int or sequence of int
        The shape of the detection units.
    pool : int or sequence of int
        The size of a block along each of the last axes, which it must divide: 2 for (n,) or (C, L), (2, 2) for (C, H, W).
    bias_shape : sequence of int, optional
        A shape that broadcasts to `shape`, where units share biases. By default each unit has its own bias.

    Raises
    ------
    ValueError
        For blocks that do not divide the last axes of `shape`.

    Notes
    -----
    The energy is -b·v and, within a block, p(v_i = 1 | x) = exp(b_i + x_i) / (1 + Σ exp(b + x)) (Lee, Grosse, Ranganath & Ng 2009,
    doi:10.1145/1553374.1553453).

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> units = hm.PooledBlocks((1, 4, 4), pool=(2, 2))
    >>> units.output_shape
    (1, 2, 2)
    >>> mean = units.mean(torch.zeros(1, 4, 4)).detach()
    >>> mean[0, 0]  # four units and the off state of a block are equally probable
    tensor([0.2000, 0.2000, 0.2000, 0.2000])
    >>> units.output(mean)
    tensor([[[0.8000, 0.8000],
             [0.8000, 0.8000]]])
    """

    def __init__(self, shape: int | Sequence[int], *, pool: int | Sequence[int], bias_shape: Sequence[int] | None = None) -> None:
        super().__init__(shape, bias_shape=bias_shape)
        self.pool: tuple[int, ...] = (pool,) if isinstance(pool, int) else tuple(pool)
        pooled = self.shape[len(self.shape) - len(self.pool) :]
        whole = len(pooled) == len(self.pool) > 0 and all(p > 0 and n % p == 0 for n, p in zip(pooled, self.pool, strict=True))
        if not whole:
            raise ValueError(f"blocks of {self.pool} must divide the last axes of the layer's shape, found a layer of shape {self.shape}")

    @property
    def output_shape(self) -> tuple[int, ...]:
        kept = len(self.shape) - len(self.pool)
        return (*self.shape[:kept], *(n // p for n, p in zip(self.shape[kept:], self.pool, strict=True)))

    def blocks(self, values: Tensor) -> Tensor:
        """Reshapes (*leading, *shape) to (units of a block, *leading, *output_shape)."""
        axes, kept = len(self.pool), values.dim() - len(self.pool)
        cut = [size for n, p in zip(self.shape[-axes:], self.pool, strict=True) for size in (n // p, p)]
        split = values.reshape(*values.shape[:kept], *cut)
        inner = [kept + 2 * axis + 1 for axis in range(axes)]
        return split.permute(*inner, *range(kept), *(place - 1 for place in inner)).flatten(0, axes - 1)

    def units(self, blocks: Tensor) -> Tensor:
        """Reshapes (units of a block, *leading, *output_shape) to (*leading, *shape): the inverse of `blocks`."""
        axes, kept = len(self.pool), blocks.dim() - 1 - len(self.pool)
        split = blocks.reshape(*self.pool, *blocks.shape[1:])
        order = [*range(axes, axes + kept), *(place for axis in range(axes) for place in (axes + kept + axis, axis))]
        return split.permute(*order).reshape(*blocks.shape[1 : 1 + kept], *self.shape[-axes:])

    def _total(self, input: Tensor, given: Given) -> Tensor:
        """b + input in blocks, minus infinity where a unit is absent."""
        total = input + self.bias
        if given.present is not None:
            total = torch.where(given.present.bool(), total, torch.full((), -math.inf, dtype=total.dtype, device=total.device))
        return self.blocks(total)

    def log_partition(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        """Σ over blocks of log(1 + Σ exp(b + input))."""
        total = self._total(input, given)
        top = total.detach().amax(0).clamp_min(0)
        terms = top + torch.log(torch.exp(total - top).sum(0) + torch.exp(-top))
        return terms.sum(dim=tuple(range(-len(self.shape), 0)))

    def _shares(self, input: Tensor, given: Given) -> Tensor:
        """The probability that each unit is on, in blocks."""
        total = self._total(input, given)
        top = total.detach().amax(0).clamp_min(0)
        on = torch.exp(total - top)
        return on / (on.sum(0) + torch.exp(-top))

    def mean(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        return self.units(self._shares(input, given))

    def variance(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        mean = self.mean(input, given)
        return mean * (1 - mean)

    def mode(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        total = self._total(input, given)
        top, place = total.max(0)
        states = torch.zeros_like(total).scatter_(0, place[None], (top > 0).to(total.dtype)[None])
        return self.units(states)

    @torch.no_grad()
    def sample(self, input: Tensor, *, generator: torch.Generator, given: Given = NOTHING, mean: Tensor | None = None) -> Tensor:
        """Inverts the cumulative distribution of each block at one uniform number."""
        return keep_present(self._draw(self._shares(input, given) if mean is None else self.blocks(mean), generator), given)

    def _draw(self, shares: Tensor, generator: torch.Generator) -> Tensor:
        """At most one unit of each block, with the probabilities `shares`, in blocks."""
        u = uniform(tuple(shares.shape[1:]), shares, generator)
        ends = shares.cumsum(0)
        ends[-1].masked_fill_(ends[-1] > 1 - len(ends) * torch.finfo(ends.dtype).eps, 1.0)  # a remainder from rounding is no off state
        reached = u < ends
        return self.units(torch.cat([reached[:1], reached[1:] & ~reached[:-1]]).to(shares.dtype))

    def check(self, states: Tensor) -> None:
        check_shape("PooledBlocks", states, self.shape)
        check_finite("PooledBlocks", states)
        odd = (states != 0) & (states != 1)
        if bool(odd.any()):
            raise ValueError(f"PooledBlocks units expect 0 or 1, found {states[odd][0].item():g}")
        most = int((self.blocks(states) != 0).sum(0).max())
        if most > 1:
            raise ValueError(f"PooledBlocks units expect at most one unit of a block to be on, found {most}")

    @torch.no_grad()
    def init_from(self, data: Tensor, weights: Tensor | None = None) -> None:
        """Sets b to the log of each unit's share over the share of its block being off, with Laplace's rule."""
        rows = data.to(self.bias.dtype)
        blocks = self.blocks(rows)
        on, _ = tally(rows, weights, self.bias)
        off, _ = tally(self.units((1 - blocks.sum(0)).clamp_min(0).expand_as(blocks)), weights, self.bias)
        self.bias.copy_(torch.log((on + 1) / (off + 1)))

    def base_input(self, mean: Tensor) -> Tensor:
        blocks = self.blocks(mean)
        off = (1 - blocks.sum(0)).clamp_min(1e-3)
        return self.units(torch.log(blocks.clamp_min(1e-3) / off)) - self.bias.detach()

    def max_interaction(self, weights: Tensor, given: Given = NOTHING) -> Tensor:
        return self.blocks(weights.T.reshape(-1, *self.shape)).amax(0).clamp_min(0).flatten(1).sum(1)

    @property
    def count(self) -> float:
        count: int = (math.prod(self.pool) + 1) ** math.prod(self.output_shape)  # an exact integer: a float would overflow
        return count

    def states(self, numbers: Tensor) -> Tensor:
        choices, blocks = math.prod(self.pool) + 1, math.prod(self.output_shape)
        powers = choices ** torch.arange(blocks, device=numbers.device)
        chosen = (numbers[:, None] // powers % choices).reshape(-1, *self.output_shape)
        places = torch.arange(1, choices, device=numbers.device).reshape(-1, *[1] * chosen.dim())
        return self.units((chosen == places).to(self.bias.dtype))

    def output(self, states: Tensor) -> Tensor:
        """The pooled map, the sum over each block: (*leading, *output_shape).

        For means it is the probability that any unit of the block is on.
        """
        return self.blocks(states).sum(0)

    def from_output(self, output: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Detection units for a pooled map of states or probabilities: (*leading, *shape).

        In each block the mean is the map's value times softmax(b). With a generator they are drawn, without one the mean is returned.
        """
        share = torch.softmax(self.blocks(self.bias.detach().expand(self.shape)), dim=0)
        shares = share.reshape(-1, *[1] * (output.dim() - share.dim() + 1), *share.shape[1:]) * output
        return self.units(shares) if generator is None else self._draw(shares, generator)

    def as_visible_layer(self) -> Bernoulli:
        return Bernoulli(self.output_shape, values="probabilities")

    def arguments(self) -> dict[str, object]:
        return {"shape": self.shape, "pool": self.pool, "bias_shape": self.bias_shape}
