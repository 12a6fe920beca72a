"""The gradient of discriminative fine-tuning."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import vmap
from torch.nn import functional as F

from harmonium.data.batches import Batches
from harmonium.learning.loop.plan import Groups
from harmonium.learning.loop.settings import described
from harmonium.learning.loop.state import TrainingState
from harmonium.learning.loop.step import allocate_gradients

Loss = Callable[[Tensor, Tensor], Tensor]


class Backpropagation:
    """Writes the gradient of the mean loss of a mini-batch. For the first `head_epochs` it is that of the head alone, if that learns.

    Of several processes, each writes its cases' part. `dtype`: the type to which factors of products are rounded. `rebinds`: every `.grad`
    is the new tensor that holds the gradient. This saves two passes over it. Recorded updates need the same tensors each time.
    """

    def __init__(
        self,
        state: TrainingState,
        loss: Loss,
        head: nn.Module | None,
        head_epochs: int,
        batches: Batches,
        dtype: torch.dtype | None = None,
        rebinds: bool = False,
    ) -> None:
        self.rebinds = rebinds
        self.state, self.net, self.loss, self.batches = state, state.model, loss, batches
        self.dtype = dtype
        own = set() if head is None else set(head.parameters())
        self.head_epochs = head_epochs if own else 0
        self.body = [parameter for parameter in self.net.parameters() if parameter.requires_grad and parameter not in own]
        device = next(self.net.parameters()).device.type
        self.products: AbstractContextManager[Any] = nullcontext() if dtype is None else torch.autocast(device, dtype)
        self._learn_body(state.epoch >= self.head_epochs)

    def gradient(self, x: Tensor, y: Tensor, weights: Tensor | None = None) -> None:
        """Overwrite every `.grad`. `x`: (cases, ...). `y`: (cases, ...). `weights`: (cases,)."""
        self.loss_and_gradient(x, y, weights)

    def loss_and_gradient(self, x: Tensor, y: Tensor, weights: Tensor | None = None, *, counted: bool = True) -> Tensor:
        """Overwrite every `.grad`, and return the loss.

        Parameters
        ----------
        x, y : Tensor
            Inputs and targets, (cases, ...) each.
        weights : Tensor, optional
            (cases,).
        counted : bool
            Whether the loss belongs to the sums of the epoch.
        """
        state = self.state
        if state.batch == 0:
            self._learn_body(state.epoch >= self.head_epochs)
        y = y.to(x.device)
        y = y.long() if is_classification(y) else y
        self.net.train()
        self.net.zero_grad(set_to_none=self.rebinds)
        with self.products:
            outputs = self.net(x)
        outputs = outputs if self.dtype is None else outputs.float()
        whole, shares = self.batches.whole, None
        if weights is None:
            loss = self.loss(outputs, y)
        else:  # in units of the mean weight of all cases, so that a row of weight 2 is two rows whatever its batch holds
            shares = weights.to(outputs) / self.batches.mean_weight
            loss = (shares * each_loss(self.loss, outputs.unsqueeze(1), y.unsqueeze(1))).mean()
        share = loss if whole is None else loss * (len(x) / whole.cases)
        share.backward()  # type: ignore[no-untyped-call]
        allocate_gradients(self.net)  # of parameters that the outputs do not depend on
        if not counted:
            return loss
        times = 1 if whole is None else whole.times
        state.add("loss", loss.detach() * (len(x) / times))
        state.add("cases", loss.new_full((), len(x) / times) if shares is None else shares.sum() / times)
        if is_classification(y):
            wrong = outputs.detach().argmax(1) != y
            state.add("errors", (wrong if shares is None else wrong * shares).sum() / times)
        return loss

    def after(self, complete: Callable[[], None]) -> None:
        """Nothing."""

    def between(self, step: int) -> None:
        """Nothing."""

    def metrics(self) -> dict[str, float]:
        """Metrics of the epoch's training cases, each at the weights of its own update."""
        totals = {name: value.item() for name, value in self.state.totals.items()}
        row = {"train_loss": totals["loss"] / totals["cases"]}
        return row | ({"train_error_percent": 100 * totals["errors"] / totals["cases"]} if "errors" in totals else {})

    def close(self) -> None:
        """Make the whole net trainable again."""
        self._learn_body(True)

    def _learn_body(self, learn: bool) -> None:
        for parameter in self.body:
            parameter.requires_grad_(learn)
            if not learn:
                parameter.grad = None  # the optimiser skips parameters without one


def described_loss(loss: Loss) -> str:
    """The name of a loss: that of a function, or of an object's class."""
    return getattr(loss, "__qualname__", None) or described(loss)


def each_loss(loss: Loss, outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean loss of each replica's cases: (replicas)."""
    if loss is F.cross_entropy and targets.dim() == 2:
        return F.cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="none").view(targets.shape).mean(1)
    found: Tensor = vmap(loss)(outputs, targets)
    return found


def is_classification(targets: Tensor) -> bool:
    """Whether targets are labels: one integer per case."""
    return targets.dim() == 1 and not targets.is_floating_point() and targets.dtype != torch.bool


def groups_of(net: nn.Module, head: nn.Module | None, weight_cost: float) -> Groups:
    """The body's and the head's parameters: matrices with the weight cost, biases without.

    The two are separate groups, because fused optimisers require every parameter of a group to begin at the same step.
    """
    own = set() if head is None else set(head.parameters())
    parts = [[p for p in net.parameters() if p not in own], [p for p in net.parameters() if p in own]]
    groups = [
        {"params": [p for p in part if (p.dim() > 1) == cost], "weight_decay": weight_cost if cost else 0.0}
        for part in parts
        for cost in (True, False)
    ]
    return [group for group in groups if group["params"]]
