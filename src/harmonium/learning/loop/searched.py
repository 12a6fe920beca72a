"""Updates of optimisers that search along lines, and so need the loss and its gradient at several points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from harmonium.learning.loop.plan import Groups
from harmonium.learning.loop.step import Step
from harmonium.processes import world_size


class Searched:
    """A `Step` whose optimiser evaluates the loss of the batch as often as it likes.

    The draws of dropout are the same for each evaluation of a batch, so that it is one function. The metrics count the first one. Weight
    decay becomes a term of the loss, ½ cost ‖w‖², unless the optimiser has its own. `torch.optim.LBFGS` begins anew on each batch: what it
    knows of the curvature is from differences of one function's gradients. On a single batch it goes on from epoch to epoch.

    Parameters
    ----------
    step : Step
        The update.
    evaluate : callable
        Parts of a batch, and `counted=`, whether they belong to the epoch's sums -> the loss. It overwrites every `.grad`.
    groups : list of dict
        The parameters, with their "weight_decay".
    batches : int
        The number of batches of an epoch.
    """

    def __init__(self, step: Step, evaluate: Callable[..., Tensor], groups: Groups, batches: int) -> None:
        self.step, self.evaluate = step, evaluate
        self.anew = batches > 1 and isinstance(step.state.optimizer, torch.optim.LBFGS)
        own = "weight_decay" in step.state.optimizer.defaults
        costs = {} if own else {parameter: group["weight_decay"] for group in groups for parameter in group["params"]}
        self.costs = {parameter: cost for parameter, cost in costs.items() if cost}

    def __call__(self, *batch: Any) -> None:
        step, state = self.step, self.step.state
        draws, counted = state.generator.get_state(), True
        if self.anew:
            state.optimizer.state.clear()

        def again() -> Tensor:
            nonlocal counted
            state.generator.set_state(draws)
            loss = self.evaluate(*batch, counted=counted)
            counted = False
            return self._with_costs(loss.detach())

        state.optimizer.step(again)  # type: ignore[arg-type]
        for transform, slots in step.transforms:
            transform.after(step.model, slots)
        step.finish()

    @torch.no_grad()
    def _with_costs(self, loss: Tensor) -> Tensor:
        for parameter, cost in self.costs.items():
            if parameter.requires_grad:
                loss = loss + 0.5 * cost * parameter.square().sum()
                assert parameter.grad is not None
                parameter.grad.add_(parameter, alpha=cost)
        return loss


def check_search(optimizer: torch.optim.Optimizer, capture: bool) -> None:
    """Raise a ValueError where an optimiser cannot search along lines."""
    name = type(optimizer).__name__
    if capture:
        raise ValueError(f"capture=True records one update, and the line searches of {name} are as long as they need: leave it out")
    if world_size() > 1:
        raise ValueError(f"{name} searches along lines in one process, found {world_size()}: start one, or take another optimiser")
