"""Logistic PCA with free codes (Schein, Saul & Ungar 2003): pixels are logistic in the code that reconstructs an image best.

No encoder is learnt: the code of an image is the solution of a problem of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

BLOCK = 2**25  # numbers that are held at once in a block of rows
HALVINGS = 12


class LogisticPCA(NamedTuple):
    """The probability of pixel j in an image with the code c is sigmoid(Σ_k c_k loadings_kj + bias_j)."""

    loadings: Tensor
    """(components, pixels)."""
    bias: Tensor
    """(pixels,)."""
    ridge: float
    """Weight of half the sum of squares of codes, loadings and biases beside the cross-entropy."""

    def codes(self, images: Tensor, *, steps: int = 30) -> Tensor:
        """The codes that reconstruct images best, (cases, pixels) from 0 to 1: (cases, components). The problem is convex."""
        found = images.new_zeros(len(images), len(self.loadings))
        for _ in range(steps):
            before, found = found, newton(images, self.loadings.T, found, self.ridge, self.bias)
            if (found - before).abs().max() < 1e-4:
                break
        return found

    def means(self, codes: Tensor) -> Tensor:
        """What codes, (cases, components), stand for: (cases, pixels)."""
        return torch.addmm(self.bias, codes, self.loadings).sigmoid_()


def logistic_pca(images: Tensor, components: int, *, ridge: float = 0.01, iterations: int = 30, tolerance: float = 1e-4) -> LogisticPCA:
    """Logistic PCA by alternating Newton steps, in the codes of all images and in the loadings and biases of all pixels.

    It minimises Σ [log(1 + eᶻ) - x z] + ridge / 2 (|codes|² + |loadings|² + |bias|²), z = codes · loadings + bias. Each half is a
    logistic regression for every image, or every pixel, by itself; steps that would raise a row's part are halved, so that the sum never
    rises. It begins at PCA's components, in whose span the logits are first to vary.

    Parameters
    ----------
    images : Tensor
        (cases, pixels), from 0 to 1.
    components : int
        Numbers in a code.
    ridge : float
        Keeps the logits of pixels that are never on finite.
    iterations : int
        Alternations, at most.
    tolerance : float
        It ends where an alternation lowers the sum by a smaller share.
    """
    mean = images.mean(0)
    centred = images - mean
    loadings = torch.linalg.eigh(centred.T @ centred)[1][:, -components:].T.contiguous()
    codes = 4 * centred @ loadings.T  # the slope of a sigmoid is a quarter
    bias = torch.logit(mean, eps=1e-3)
    least = float("inf")
    for _ in range(iterations):
        codes = newton(images, loadings.T, codes, ridge, bias)
        beside = torch.cat([codes, codes.new_ones(len(codes), 1)], dim=1)
        found = newton(images.T, beside, torch.cat([loadings, bias[None]]).T.contiguous(), ridge)
        loadings, bias = found[:, :-1].T.contiguous(), found[:, -1].contiguous()
        total = float(sum(part.double().sum() for part in _blocks(images, loadings.T, codes, ridge, bias)))
        total += ridge / 2 * float(found.double().square().sum())
        if total > least * (1 - tolerance):
            break
        least = total
    return LogisticPCA(loadings, bias, ridge)


def newton(x: Tensor, design: Tensor, weights: Tensor, ridge: float, offset: Tensor | None = None) -> Tensor:
    """One Newton step of a logistic regression of each row of x, (rows, columns), on the design, (columns, k): new weights (rows, k).

    `offset`: (columns,), added to the logits. No row's loss rises.
    """
    k, found = design.shape[1], []
    outer = (design[:, :, None] * design[:, None, :]).flatten(1)
    for rows, old in zip(_split(x), torch.split(weights, _size(x)), strict=True):
        p = _logits(design, old, offset).sigmoid_()
        slope = (p - rows) @ design + ridge * old
        curvature = ((p * (1 - p)) @ outer).view(-1, k, k)
        curvature.diagonal(dim1=1, dim2=2).add_(ridge)
        found.append(_not_higher(rows, design, old, torch.linalg.solve(curvature, slope), ridge, offset))
    return torch.cat(found)


def _not_higher(x: Tensor, design: Tensor, old: Tensor, step: Tensor, ridge: float, offset: Tensor | None) -> Tensor:
    """The weights after a step, or after the half, a quarter, ... of it in rows whose loss would rise otherwise."""
    before, new = _loss(x, design, old, ridge, offset), old - step
    worse = (~(_loss(x, design, new, ridge, offset) <= before)).nonzero().squeeze(1)
    for halving in range(1, HALVINGS + 1):
        if not len(worse):
            return new
        new[worse] = old[worse] - step[worse] / 2**halving
        worse = worse[~(_loss(x[worse], design, new[worse], ridge, offset) <= before[worse])]
    new[worse] = old[worse]
    return new


def _logits(design: Tensor, weights: Tensor, offset: Tensor | None) -> Tensor:
    return weights @ design.T if offset is None else torch.addmm(offset, weights, design.T)


def _loss(x: Tensor, design: Tensor, weights: Tensor, ridge: float, offset: Tensor | None) -> Tensor:
    """Of each row: its cross-entropy, and ridge / 2 times the sum of squares of its weights."""
    z = _logits(design, weights, offset)
    return (F.softplus(z) - x * z).sum(1) + ridge / 2 * weights.square().sum(1)


def _blocks(x: Tensor, design: Tensor, weights: Tensor, ridge: float, offset: Tensor | None) -> list[Tensor]:
    pairs = zip(_split(x), torch.split(weights, _size(x)), strict=True)
    return [_loss(rows, design, old, ridge, offset) for rows, old in pairs]


def _size(x: Tensor) -> int:
    return max(BLOCK // x.shape[1] // 8, 1)


def _split(x: Tensor) -> tuple[Tensor, ...]:
    return torch.split(x, _size(x))
