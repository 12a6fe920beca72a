"""Draws from factor analysers: of cases, of factors, and of missing values."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.models.factor_cases import Cases
from harmonium.models.factor_posterior import Analysers, posterior


def draw_cases(analysers: Analysers, count: int, generator: torch.Generator) -> Tensor:
    """`count` independent cases, (count, visible): a component each, its factors, then the noise."""
    _, visible, factors = analysers.loadings.shape
    chosen = torch.multinomial(analysers.log_mixing.exp(), count, replacement=True, generator=generator)
    z, noise = (_normal(analysers, count, size, generator=generator) for size in (factors, visible))
    v = torch.empty_like(noise)
    for component in range(len(analysers.mean)):
        own = chosen == component
        v[own] = analysers.mean[component] + z[own] @ analysers.loadings[component].T + noise[own] * analysers.variance[component].sqrt()
    return v


def draw_factors(analysers: Analysers, block: Cases, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A component and its factors from the posterior of each case of a block: (cases,) integers, and (cases, factors)."""
    found = posterior(analysers, block)
    chosen = torch.multinomial(found.responsibilities(), 1, generator=generator)[:, 0]
    every = torch.arange(len(chosen), device=chosen.device)
    root = torch.linalg.cholesky(found.covariance).expand(len(chosen), -1, -1, -1)[every, chosen]
    noise = _normal(analysers, *found.mean.shape[::2], generator=generator)
    return chosen, found.mean[every, chosen] + (root @ noise[..., None])[..., 0]


def complete_block(analysers: Analysers, block: Cases, generator: torch.Generator | None) -> Tensor:
    """The cases of a block with E[v | v_seen] where a value is missing, or a draw from p(v | v_seen) if a generator is given."""
    if block.seen is None:
        return block.v
    if generator is None:
        found = posterior(analysers, block)
        means = analysers.mean + torch.einsum("kdi,nki->nkd", analysers.loadings, found.mean)
        v = torch.einsum("nk,nkd->nd", found.responsibilities(), means)
    else:
        chosen, z = draw_factors(analysers, block, generator)
        noise = _normal(analysers, *block.v.shape, generator=generator) * analysers.variance[chosen].sqrt()
        v = analysers.mean[chosen] + (analysers.loadings[chosen] @ z[..., None])[..., 0] + noise
    return torch.where(block.seen, block.v, v)


def _normal(like: Analysers, *shape: int, generator: torch.Generator) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64, device=like.mean.device)
