"""The default optimiser: torch.optim.SGD with less overhead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

FUSED: Callable[..., None] | None = getattr(torch, "_fused_sgd_", None)  # private to torch; where it is missing, torch's own step is taken


def _plain(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of torch's optimisers without the mark that `torch.compile` passes it by."""
    return getattr(method, "__wrapped__", method)


class MomentumSGD(torch.optim.SGD):
    """`torch.optim.SGD(fused=True)` with less overhead: the same rule, state and bits, with one kernel call per group.

    Step hooks are not called.

    Parameters
    ----------
    params : iterable of Tensor or of dict
        Parameters or parameter groups, as for `torch.optim.SGD`.
    lr : float, default 0.001
        Learning rate.
    momentum : float, default 0
        Momentum.
    weight_decay : float, default 0
        Weight decay.
    **others
        Other arguments of `torch.optim.SGD`.

    Notes
    -----
    velocity ← momentum · velocity + gradient + weight decay · θ;  θ ← θ - lr · velocity. At the size of one RBM, the overhead of
    `torch.optim.SGD.step` (hooks, profiling, sorting of tensors) is comparable to the cost of its kernel.

    Examples
    --------
    >>> from functools import partial
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> fast = partial(hm.MomentumSGD, lr=0.05, momentum=0.5)
    >>> state = hm.fit(rbm, torch.eye(6), optimizer=fast, epochs=2, progress=False)
    >>> state.optimizer.param_groups[0]["lr"]
    0.05
    """

    # torch marks these for its compiler, which it imports at the first call of one: seconds, in every process that learns.
    add_param_group = _plain(torch.optim.SGD.add_param_group)
    zero_grad = _plain(torch.optim.SGD.zero_grad)
    state_dict = _plain(torch.optim.SGD.state_dict)
    load_state_dict = _plain(torch.optim.SGD.load_state_dict)

    def __init__(self, params: Any, lr: float = 1e-3, momentum: float = 0.0, weight_decay: float = 0.0, **others: Any) -> None:
        super().__init__(params, lr=lr, momentum=momentum, weight_decay=weight_decay, fused=True, **others)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update from every `.grad`.

        Parameters
        ----------
        closure : callable, optional
            Computes the gradient and returns the loss.

        Returns
        -------
        object
            The closure's result, or None.
        """
        if FUSED is None:
            return super().step(closure)
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
            FUSED(
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
