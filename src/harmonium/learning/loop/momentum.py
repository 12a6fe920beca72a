"""The default optimiser: torch.optim.SGD without its bookkeeping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


class MomentumSGD(torch.optim.SGD):
    """`torch.optim.SGD(fused=True)`, the same rule and state to the same bits, stepped by one call of its kernel a group.

    velocity ← momentum · velocity + gradient + weight decay · θ;  θ ← θ - lr · velocity. At the size of one RBM what
    `torch.optim.SGD.step` does around its kernel (hooks, profiling, sorting of tensors) weighs beside it. Step hooks are not called.
    """

    def __init__(self, params: Any, lr: float = 1e-3, momentum: float = 0.0, weight_decay: float = 0.0, **others: Any) -> None:
        super().__init__(params, lr=lr, momentum=momentum, weight_decay=weight_decay, fused=True, **others)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update from every `.grad`."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [parameter for parameter in group["params"] if parameter.grad is not None]
            if not params:
                continue
            states = [self.state[parameter] for parameter in params]
            velocities = [state.get("momentum_buffer") for state in states] if group["momentum"] else []
            first = bool(velocities) and velocities[0] is None
            if first:
                velocities = [torch.empty_like(parameter) for parameter in params]
                for state, velocity in zip(states, velocities, strict=True):
                    state["momentum_buffer"] = velocity
            torch._fused_sgd_(
                params,
                [parameter.grad for parameter in params],
                velocities,
                weight_decay=group["weight_decay"],
                momentum=group["momentum"],
                lr=group["lr"],
                dampening=group["dampening"],
                nesterov=group["nesterov"],
                maximize=group["maximize"],
                is_first_step=first,
                grad_scale=None,
                found_inf=None,
            )
        return loss

    step.hooked = True  # type: ignore[attr-defined]  # keeps torch from wrapping the step in its profiler's hook
