"""The outputs of a net, and its figures on held-out cases."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harmonium.data.batches import BLOCK
from harmonium.data.tables import as_tensor
from harmonium.learning.backpropagation import Loss, is_classification
from harmonium.learning.tuned_cases import Inputs, as_inputs, input_rows


def held_out(net: nn.Module, inputs: Inputs, targets: Tensor, loss: Loss) -> dict[str, float]:
    """The loss on validation cases and, for a classifier, the percentage of wrong labels."""
    outputs, targets = predict(net, inputs), as_tensor(targets)
    if not is_classification(targets):
        return {"validation_loss": loss(outputs, targets.cpu()).item()}
    wrong = (outputs.argmax(1) != targets.cpu()).double().mean().item()
    return {"validation_loss": loss(outputs, targets.cpu().long()).item(), "validation_error_percent": 100 * wrong}


@torch.no_grad()
def predict(net: nn.Module, inputs: Inputs) -> Tensor:
    """Compute the net's outputs without dropout, a block at a time.

    Parameters
    ----------
    net : nn.Module
        Any net. Its mode, training or evaluation, is kept.
    inputs : Tensor, array or Source
        Cases, (cases, width), as for `fine_tune`. A source that draws draws the same each time.

    Returns
    -------
    Tensor
        The outputs, (cases, classes), on the CPU.

    Raises
    ------
    ValueError
        As for the inputs of `fine_tune`.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> net = torch.nn.Sequential(torch.nn.Linear(6, 3))
    >>> hm.predict(net, torch.eye(6)).shape
    torch.Size([6, 3])
    """
    inputs, generator = as_inputs(inputs), torch.Generator()
    rows, training = input_rows(net, inputs, next(net.parameters()).detach()), net.training
    net.eval()
    outputs = [net(rows.rows(block, generator)).cpu() for block in torch.split(torch.arange(len(inputs)), BLOCK)]
    net.train(training)
    return torch.cat(outputs)
