"""Cases of fine-tuning: inputs, targets and weights, checked and made into mini-batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harmonium.data.batches import ArrayRows, Batches, Numbered, Source
from harmonium.data.sparse import SparseRows
from harmonium.data.tables import as_data, as_tensor
from harmonium.learning.backpropagation import Loss, each_loss, is_classification
from harmonium.learning.cases import Chosen, blocks, case_weights
from harmonium.learning.checked import CheckedRows, visited
from harmonium.learning.placing import placed_rows
from harmonium.nets import Autoencoder, ReconstructionLoss, SameOrDifferent
from harmonium.nets.visible import visible_of

Inputs = Tensor | Source
PROBED = 64  # cases on which it is tried whether a loss is the mean of those of single cases


class Floats:
    """What a net without visible units takes: finite floats or booleans of one shape, (*shape)."""

    def __init__(self, shape: torch.Size) -> None:
        self.shape = tuple(shape)

    def check(self, data: Tensor) -> None:
        """Raises a ValueError for bytes, which may be grey levels or numbers, and for values that are not finite."""
        if data.dtype == torch.uint8:
            width = data[:1].numel()
            raise ValueError(
                "uint8 inputs may be grey levels or numbers, and this net does not say which: give it floats (grey levels as level / 255), "
                f'or begin it with harmonium.nets.Visible(hm.Bernoulli({width}, values="probabilities")), which takes levels as level / 255'
            )
        check_finite(data)


def as_inputs(data: Any) -> Inputs:
    """Inputs of any form as a tensor; a source of rows stays as it is, for it may draw each visit anew."""
    found = as_data(data)
    return found if isinstance(found, Source) and not isinstance(found, SparseRows) else as_tensor(found)


def tuned_batches(net: nn.Module, inputs: Any, targets: Any, sample_weight: Any, loss: Loss, *, batch_size: int, seed: int) -> Batches:
    """Mini-batches (inputs, targets, weights or None) of the cases that have a weight.

    Parameters
    ----------
    net : torch.nn.Module
        The net that is to learn from them.
    inputs : Tensor, array or Source
        (cases, ...).
    targets : Tensor or array
        (cases, ...).
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
    inputs, targets = as_inputs(inputs), as_targets(targets, loss)
    weights = case_weights(sample_weight, 0 if isinstance(inputs, Tensor) and not inputs.dim() else len(inputs), like)
    each = None if weights is None else weights.each
    if weights is not None and weights.kept is not None and targets.shape[:1] == (len(inputs),):
        inputs, targets, each = (of_cases(part, weights.kept) for part in (inputs, targets, weights.each))
    check_cases(net, inputs, targets, loss)
    rows = input_rows(net, inputs, like)
    shares: Numbered | None = None
    if each is not None:
        check_loss(loss, targets, output_shape(net, rows), like)
        shares = ArrayRows(each)
    sources: list[Numbered | None] = [rows, ArrayRows(targets, lambda chosen: chosen.to(like.device)), shares]
    return Batches(sources, batch_size=batch_size, seed=seed, weights=shares, mean_weight=1.0 if weights is None else weights.mean)


def as_targets(targets: Any, loss: Loss) -> Tensor:
    """Targets as a tensor. Truth values, one a case, are labels of two classes for cross-entropy."""
    found = as_tensor(targets)
    return found.long() if loss is F.cross_entropy and found.dim() == 1 and found.dtype == torch.bool else found


def of_cases(part: Any, kept: Tensor) -> Any:
    """The rows of these cases alone, (count,)."""
    return part.index_select(0, kept.to(part.device)) if isinstance(part, Tensor) else Chosen(part, kept)


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


def input_rows(net: nn.Module, inputs: Inputs, like: Tensor) -> Numbered:
    """Inputs as a source, converted as the net's visible units take their data. Raises ValueError for inputs that they cannot take.

    A tensor is checked now, and the rows of a source at each visit.
    """
    visible = visible_of(net)
    if not isinstance(inputs, Tensor):
        shape = visited(inputs, torch.arange(1), torch.Generator()).shape[1:]
        return CheckedRows(inputs, visible or Floats(shape), lambda rows: rows.to(like) if visible is None else visible.states(rows))
    if visible is None:
        Floats(inputs.shape[1:]).check(inputs)
        return placed_rows(inputs, like.device, lambda rows: rows.to(like))
    for rows in blocks(inputs):
        visible.check(rows)
    return placed_rows(inputs, like.device, visible.states)


def check_finite(data: Tensor) -> None:
    """Raise a ValueError for NaN or infinite values."""
    if data.is_floating_point() and not bool(torch.isfinite(data).all()):
        raise ValueError("expected finite inputs, found NaN or infinite values")


def check_cases(net: nn.Module, inputs: Inputs, targets: Tensor, loss: Callable[..., Tensor]) -> None:
    """Raise a ValueError that says what was expected and what was found, unless the net can learn from these cases.

    Of a source, one row is tried.
    """
    cases = 0 if isinstance(inputs, Tensor) and not inputs.dim() else len(inputs)
    some = visited(inputs, torch.arange(1), torch.Generator()) if cases and not isinstance(inputs, Tensor) else inputs
    outputs = [module.out_features for module in net.modules() if isinstance(module, nn.Linear | SameOrDifferent)]
    first = next((m for m in net.modules() if isinstance(m, nn.Unflatten | nn.Linear | nn.modules.conv._ConvNd)), None)
    visible, width = visible_of(net), None
    if visible is not None:
        width = visible.width
    elif isinstance(first, nn.Unflatten):
        width = math.prod(first.unflattened_size)
    elif isinstance(first, nn.Linear):
        width = first.in_features
    expected = ", ".join(map(str, visible.shape)) if visible is not None else "..." if width is None else width
    if not isinstance(some, Tensor):
        raise ValueError(f"expected inputs of shape (cases, {expected}), at least one case, found a source without rows")
    if some.dim() < 2 or len(some) == 0 or (width is not None and some.flatten(1).shape[1] != width):
        raise ValueError(f"expected inputs of shape (cases, {expected}), at least one case, found {(cases, *some.shape[1:])}")
    check_finite(some)
    if loss is not F.cross_entropy:
        if len(targets) != cases:
            raise ValueError(f"expected a target for each of {cases} cases, found {len(targets)}")
        if isinstance(loss, ReconstructionLoss):
            for rows in blocks(targets):
                loss.check(rows)
        return
    if isinstance(net, Autoencoder):
        raise ValueError("an autoencoder learns to reconstruct: give it loss=net.loss, and as targets what it is to reconstruct")
    if targets.shape != (cases,) or targets.is_floating_point():
        raise ValueError(f"expected {cases} integer labels, one per case, found shape {tuple(targets.shape)} of {targets.dtype}")
    if outputs:
        classes, low, high = outputs[-1], int(targets.min()), int(targets.max())
        if low < 0 or high >= classes:
            raise ValueError(f"expected labels from 0 to {classes - 1}, found {low if low < 0 else high}")
