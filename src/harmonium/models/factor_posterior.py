"""Factor analysers side by side: their densities, and the posteriors of their factors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.models.factor_cases import Cases


class Analysers(NamedTuple):
    """The components of a mixture of factor analysers, in float64.

    `log_mixing`: (components,). `mean` and `variance`: (components, visible). `loadings`: (components, visible, factors).
    """

    log_mixing: Tensor
    mean: Tensor
    loadings: Tensor
    variance: Tensor

    @property
    def numbers(self) -> int:
        """How many numbers the largest tensor of a posterior, or of the sums of EM, holds per case."""
        components, visible, factors = self.loadings.shape
        return components * max(visible, (factors + 1) ** 2)


class FactorPosterior(NamedTuple):
    """What the analysers say of some cases.

    `log_joint`: log π_k + log p_k(v_seen), (cases, components). `mean`: E[z | v_seen, k], (cases, components, factors). `covariance`: of z,
    (cases, components, factors, factors), or one for all cases, (1, ...), if no value is missing. `centred`: v - μ_k, (cases, components,
    visible), zero where a value is missing.
    """

    log_joint: Tensor
    mean: Tensor
    covariance: Tensor
    centred: Tensor

    def log_likelihood(self) -> Tensor:
        """log p(v_seen): (cases,)."""
        return self.log_joint.logsumexp(1)

    def responsibilities(self) -> Tensor:
        """p(k | v_seen): (cases, components)."""
        return torch.softmax(self.log_joint, dim=1)


def posterior(analysers: Analysers, cases: Cases) -> FactorPosterior:
    """Densities and posteriors of one block of cases.

    With M = I + L' Ψ⁻¹ L over the seen units, Woodbury's identity gives

        (L L' + Ψ)⁻¹ = Ψ⁻¹ - Ψ⁻¹ L M⁻¹ L' Ψ⁻¹        |L L' + Ψ| = |Ψ| |M|        z | v ~ N(m, M⁻¹)  with  m = M⁻¹ L' Ψ⁻¹ (v - μ)
        (v - μ)' (L L' + Ψ)⁻¹ (v - μ) = (v - μ - L m)' Ψ⁻¹ (v - μ - L m) + m' m

    so that the largest matrix is M, (factors, factors). Missing units have no term in M: each case with gaps has its own.
    """
    log_mixing, mean, loadings, variance = analysers
    weights = cases.weights().expand(-1, mean.shape[1])
    centred = (cases.v[:, None] - mean) * weights[:, None]
    scaled = loadings / variance[..., None]  # Ψ⁻¹ L
    if cases.seen is None:
        overlap = (scaled.mT @ loadings)[None]
    else:
        overlap = torch.einsum("nd,kdij->nkij", weights, scaled[..., :, None] * loadings[..., None, :])
    root = torch.linalg.cholesky(overlap + torch.eye(loadings.shape[2]).to(overlap))  # of M
    covariance = torch.cholesky_inverse(root)
    pull = torch.einsum("nkd,kdi->nki", centred, scaled)  # L' Ψ⁻¹ (v - μ)
    factors = torch.einsum("nkij,nkj->nki", covariance, pull)
    # A sum of squares, and least at these factors, so that their rounding has no effect: the difference of Woodbury's two terms would lose
    # all digits where the noise is small.
    residual = (centred - torch.einsum("kdi,nki->nkd", loadings, factors)) * weights[:, None]
    distance = torch.einsum("nkd,kd->nk", residual.square(), 1 / variance) + factors.square().sum(-1)
    log_determinant = weights @ variance.log().T + 2 * root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    constant = weights.sum(1, keepdim=True) * math.log(2 * math.pi)
    return FactorPosterior(log_mixing - (constant + log_determinant + distance) / 2, factors, covariance, centred)


def posteriors(analysers: Analysers, cases: Cases) -> Iterator[FactorPosterior]:
    """The posteriors of the cases, block by block."""
    for block in cases.blocks(analysers.numbers, analysers.mean):
        yield posterior(analysers, block)
