"""Cases of fine-tuning: inputs, targets and weights, checked and made into mini-batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harmonium.data.batches import ArrayRows, Batches, Numbered
from harmonium.data.pinned import PinnedRows
from harmonium.data.tables import as_tensor
from harmonium.learning.backpropagation import Loss, each_loss, is_classification
from harmonium.learning.cases import blocks, case_weights
from harmonium.learning.placing import placed_rows
from harmonium.nets import Autoencoder, ReconstructionLoss
from harmonium.nets.visible import visible_of

PROBED = 64  # cases on which it is tried whether a loss is the mean of those of single cases


def tuned_batches(net: nn.Module, inputs: Any, targets: Any, sample_weight: Any, loss: Loss, *, batch_size: int, seed: int) -> Batches:
    """Mini-batches (inputs, targets, weights or None) of the cases that have a weight.

    Parameters
    ----------
    net : torch.nn.Module
        The net that is to learn from them.
    inputs, targets : Tensor or array
        (cases, ...) each.
    sample_weight : sequence of float, optional
        (cases,).
    loss : callable
        The loss, (outputs, targets) -> scalar.
    batch_size, seed : int
        Cases per mini-batch, and the seed of their order.

    Raises
    ------
    ValueError
        For what the net, the loss or the weights cannot take.
    """
    like = next(net.parameters()).detach()
    inputs, targets = as_tensor(inputs), as_tensor(targets)
    weights = case_weights(sample_weight, len(inputs) if inputs.dim() else 0, like)
    each = None if weights is None else weights.each
    if weights is not None and weights.kept is not None and targets.shape[:1] == inputs.shape[:1]:
        inputs, targets, each = (part.index_select(0, weights.kept.to(part.device)) for part in (inputs, targets, weights.each))
    check_cases(net, inputs, targets, loss)
    rows = input_rows(net, inputs, like)
    shares: Numbered | None = None
    if each is not None:
        check_loss(loss, targets, output_shape(net, rows), like)
        shares = ArrayRows(each)
    sources: list[Numbered | None] = [rows, ArrayRows(targets, lambda chosen: chosen.to(like.device)), shares]
    return Batches(sources, batch_size=batch_size, seed=seed, weights=shares, mean_weight=1.0 if weights is None else weights.mean)


@torch.no_grad()
def output_shape(net: nn.Module, rows: Numbered) -> torch.Size:
    """The shape of the net's output for one case."""
    training = net.training
    net.eval()
    found = net(rows.rows(torch.arange(1), torch.Generator())).shape[1:]
    net.train(training)
    return found  # type: ignore[no-any-return]


@torch.no_grad()
def check_loss(loss: Loss, targets: Tensor, shape: torch.Size, like: Tensor) -> None:
    """Raise a ValueError unless a loss is the mean of the losses of single cases, as it must be where these have weights.

    It is tried on some of the targets, with numbers from 0 to 1 in place of outputs, which are logits and probabilities alike.
    """
    chosen = torch.linspace(0, len(targets) - 1, min(PROBED, len(targets))).round().long()
    y = targets.index_select(0, chosen.to(targets.device)).to(like.device)
    y = y.long() if is_classification(y) else y
    outputs = torch.rand(len(y), *shape, generator=torch.Generator().manual_seed(0)).to(like)
    whole, mean = float(loss(outputs, y)), float(each_loss(loss, outputs.unsqueeze(1), y.unsqueeze(1)).mean())
    if not math.isclose(whole, mean, rel_tol=1e-3, abs_tol=1e-6):
        raise ValueError(
            f"sample_weight= takes a loss that is the mean of the losses of single cases: that of {len(y)} cases is {whole:g}, and the "
            f"mean of theirs {mean:g}. Weights of classes become weights of cases, sample_weight=class_weights[labels]"
        )


def input_rows(net: nn.Module, inputs: Tensor, like: Tensor) -> ArrayRows | PinnedRows:
    """Inputs as a source, converted as the net's visible units take their data. Raises ValueError for inputs that they cannot take."""
    visible = visible_of(net)
    if visible is not None:
        for rows in blocks(inputs):
            visible.check(rows)
        return placed_rows(inputs, like.device, visible.states)
    if inputs.dtype == torch.uint8:
        width = inputs[:1].numel()
        raise ValueError(
            "uint8 inputs may be grey levels or numbers, and this net does not say which: give it floats (grey levels as level / 255), or "
            f'begin it with harmonium.nets.Visible(hm.Bernoulli({width}, values="probabilities")), which takes levels as level / 255'
        )
    return placed_rows(inputs, like.device, lambda rows: rows.to(like))


def check_cases(net: nn.Module, inputs: Tensor, targets: Tensor, loss: Callable[..., Tensor]) -> None:
    """Raise a ValueError that says what was expected and what was found, unless the net can learn from these cases."""
    linear = [module for module in net.modules() if isinstance(module, nn.Linear)]
    first = next((m for m in net.modules() if isinstance(m, nn.Unflatten | nn.Linear | nn.modules.conv._ConvNd)), None)
    visible, width = visible_of(net), None
    if visible is not None:
        width = visible.width
    elif isinstance(first, nn.Unflatten):
        width = math.prod(first.unflattened_size)
    elif isinstance(first, nn.Linear):
        width = first.in_features
    if inputs.dim() < 2 or len(inputs) == 0 or (width is not None and inputs.flatten(1).shape[1] != width):
        expected = "..." if width is None else width
        raise ValueError(f"expected inputs of shape (cases, {expected}), at least one case, found {tuple(inputs.shape)}")
    if inputs.is_floating_point() and not bool(torch.isfinite(inputs).all()):
        raise ValueError("expected finite inputs, found NaN or infinite values")
    if loss is not F.cross_entropy:
        if len(targets) != len(inputs):
            raise ValueError(f"expected a target for each of {len(inputs)} cases, found {len(targets)}")
        if isinstance(loss, ReconstructionLoss):
            for rows in blocks(targets):
                loss.check(rows)
        return
    if isinstance(net, Autoencoder):
        raise ValueError("an autoencoder learns to reconstruct: give it loss=net.loss, and as targets what it is to reconstruct")
    if targets.shape != (len(inputs),) or targets.is_floating_point():
        raise ValueError(f"expected {len(inputs)} integer labels, one per case, found shape {tuple(targets.shape)} of {targets.dtype}")
    if linear:
        classes, low, high = linear[-1].out_features, int(targets.min()), int(targets.max())
        if low < 0 or high >= classes:
            raise ValueError(f"expected labels from 0 to {classes - 1}, found {low if low < 0 else high}")
