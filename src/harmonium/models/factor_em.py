"""The EM algorithm for mixtures of factor analysers (Ghahramani & Hinton 1996), with or without missing values."""

from __future__ import annotations

from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.models.factor_cases import Cases
from harmonium.models.factor_posterior import Analysers, posterior
from harmonium.progress_bar import shown

EMPTY = 1e-10  # cases: a component that holds fewer keeps its parameters


class Expected(NamedTuple):
    """What an E-step sums over cases. Row d of a component has sums over the cases that saw unit d; without gaps one serves all rows.

    `log_likelihood`: of all cases, a scalar. `shares`: Σ r, (components,). `moments`: Σ r E[z̃ z̃'] with z̃ = (z, 1), (components, visible or
    1, factors + 1, factors + 1). `cross`: Σ r (v - μ) E[z̃]', (components, visible, factors + 1). `squares`: Σ r (v - μ)², (components,
    visible). r is a case's responsibility.
    """

    log_likelihood: Tensor
    shares: Tensor
    moments: Tensor
    cross: Tensor
    squares: Tensor


def expect(analysers: Analysers, cases: Cases) -> Expected:
    """The E-step."""
    parts = (_expect_block(analysers, block) for block in cases.blocks(analysers.numbers, analysers.mean))
    return reduce(lambda one, other: Expected(*map(torch.add, one, other)), parts)


def _expect_block(analysers: Analysers, block: Cases) -> Expected:
    found = posterior(analysers, block)
    r = found.responsibilities()
    extended = torch.cat([found.mean, r.new_ones(*r.shape, 1)], dim=-1)  # z̃
    second = extended[..., :, None] * extended[..., None, :]
    second[..., :-1, :-1] += found.covariance
    return Expected(
        found.log_likelihood().sum(),
        r.sum(0),
        torch.einsum("nkd,nkij->kdij", r[..., None] * block.weights()[:, None], second),
        torch.einsum("nk,nkd,nki->kdi", r, found.centred, extended),
        torch.einsum("nk,nkd->kd", r, found.centred.square()),
    )


def maximise(analysers: Analysers, expected: Expected, floor: Tensor, shared: bool) -> Analysers:
    """The M-step: a regression of each unit on the factors, whose residual is its variance.

    Each row of (L, μ) is best whatever the variances are, and the expected log-likelihood rises on both sides towards the best
    variance. So a variance that is held at `floor`, (visible,), is still the best one allowed.
    """
    counts = expected.moments[..., -1, -1]  # (components, visible or 1)
    held = counts > EMPTY
    alone = torch.eye(expected.moments.shape[-1]).to(counts)
    moments = torch.where(held[..., None, None], expected.moments, alone)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(moments))
    rows = torch.einsum("kdij,kdj->kdi", inverse, expected.cross)  # (L, change of μ)
    rows = torch.where(held[..., None], rows, torch.cat([analysers.loadings, torch.zeros_like(analysers.mean)[..., None]], dim=-1))
    # Not shortened by the normal equations, which hold only to rounding: this is the residual of these very rows.
    explained = torch.einsum("kdi,kdij,kdj->kd", rows, expected.moments, rows)
    residual = expected.squares - 2 * (rows * expected.cross).sum(-1) + explained
    counts, held = counts.expand_as(residual), held.expand_as(residual)
    if shared:
        variance = ((residual * held).sum(0) / (counts * held).sum(0)).expand_as(residual)
    else:
        variance = torch.where(held, residual / counts.clamp_min(EMPTY), analysers.variance)
    return Analysers(
        (expected.shares / expected.shares.sum()).clamp_min(1e-300).log(),
        analysers.mean + rows[..., -1],
        rows[..., :-1],
        variance.maximum(floor),
    )


def em(
    analysers: Analysers, cases: Cases, *, floor: Tensor, shared: bool, iterations: int, tolerance: float, progress: bool
) -> tuple[Analysers, Tensor]:
    """EM from these components.

    Parameters
    ----------
    analysers
        Where it begins.
    cases
        What is learnt from.
    floor
        (visible,), the least variances.
    shared
        Whether the components share their variances.
    iterations, tolerance, progress
        As for `MixtureOfFactorAnalysers.fit`.

    Returns
    -------
    tuple
        The best components, and the history of the mean log-likelihood, (steps + 1,), which never falls: a step that gains no more than
        `tolerance` is the last, and one that gains less than nothing, by rounding, is taken back.

    Raises
    ------
    ValueError
        If the log-likelihood is not finite.
    """
    best = analysers
    history: list[float] = []
    for _ in shown(list(range(iterations + 1)), "EM", progress):
        expected = expect(analysers, cases)
        reached = expected.log_likelihood.item() / len(cases.v)
        if not -float("inf") < reached < float("inf"):
            raise ValueError(f"the log-likelihood became {reached} after {len(history)} steps: rescale the data, which may be too large")
        gain = reached - history[-1] if history else float("inf")
        if gain >= 0:
            best = analysers
            history.append(reached)
        if gain <= tolerance:
            break
        if len(history) <= iterations:
            analysers = maximise(analysers, expected, floor, shared)
    return best, torch.tensor(history, dtype=torch.float64)
