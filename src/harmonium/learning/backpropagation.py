"""The gradient of discriminative fine-tuning."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from harmonium.data.batches import Batches
from harmonium.learning.loop.plan import Groups
from harmonium.learning.loop.state import TrainingState

Loss = Callable[[Tensor, Tensor], Tensor]


class Backpropagation:
    """Writes the gradient of the mean loss of a mini-batch. For the first `head_epochs` it is that of the head alone, if there is one.

    Of several processes, each writes its cases' part. `dtype`: the type to which factors of products are rounded.
    """

    def __init__(
        self,
        state: TrainingState,
        loss: Loss,
        head: nn.Module | None,
        head_epochs: int,
        batches: Batches,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.state, self.net, self.loss, self.batches = state, state.model, loss, batches
        self.head_epochs = head_epochs if head is not None else 0
        self.dtype = dtype
        own = set() if head is None else set(head.parameters())
        self.body = [parameter for parameter in self.net.parameters() if parameter.requires_grad and parameter not in own]
        device = next(self.net.parameters()).device.type
        self.products: AbstractContextManager[Any] = nullcontext() if dtype is None else torch.autocast(device, dtype)
        self._learn_body(state.epoch >= self.head_epochs)

    def gradient(self, x: Tensor, y: Tensor) -> None:
        state = self.state
        if state.batch == 0:
            self._learn_body(state.epoch >= self.head_epochs)
        y = y.to(x.device)
        y = y.long() if is_classification(y) else y
        self.net.train()
        state.optimizer.zero_grad(set_to_none=False)
        with self.products:
            outputs = self.net(x)
        loss = self.loss(outputs if self.dtype is None else outputs.float(), y)
        whole = self.batches.whole
        share = loss if whole is None else loss * (len(x) / whole.cases)
        share.backward()  # type: ignore[no-untyped-call]
        cases = len(x) if whole is None else len(x) / whole.times
        state.add("loss", loss.detach() * cases)
        state.add("cases", loss.new_full((), float(cases)))
        if is_classification(y):
            state.add("errors", (outputs.detach().argmax(1) != y).sum() * (cases / len(x)))

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
