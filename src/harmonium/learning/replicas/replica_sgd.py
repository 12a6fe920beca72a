"""Stochastic gradient descent with settings for each replica."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from harmonium.learning.loop.momentum import FUSED

Each = float | Sequence[float]


class ReplicaSGD(torch.optim.Optimizer):
    """The rule of `hm.MomentumSGD` for replicas, each with a learning rate, a momentum and a weight decay of its own.

    Parameters
    ----------
    params : iterable of Tensor or of dict
        Parameters, (replicas, ...), or parameter groups.
    lr : float or sequence of float, default 0.001
        The learning rate: one for all, or one per replica. Rates per replica are kept as the group's `rates`, and its `lr` is then a factor
        on all of them, 1 at first, which schedules change.
    momentum : float or sequence of float, default 0
        Momentum.
    weight_decay : float or sequence of float, default 0
        Weight decay.

    Raises
    ------
    ValueError
        For settings of another number of replicas, and for negative ones.

    Notes
    -----
    velocity ← momentum · velocity + gradient + weight decay · θ;  θ ← θ - lr · velocity, for each replica.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> theta = torch.nn.Parameter(torch.zeros(2, 3))
    >>> theta.grad = torch.ones(2, 3)
    >>> hm.ReplicaSGD([theta], lr=[0.1, 0.5]).step()
    >>> theta[:, 0].tolist()
    [-0.10000000149011612, -0.5]
    """

    def __init__(self, params: Any, lr: Each = 1e-3, momentum: Each = 0.0, weight_decay: Each = 0.0) -> None:
        each = not isinstance(lr, float | int)
        rates = {"lr": 1.0, "rates": listed(lr)} if each else {"lr": lr, "rates": 1.0}
        super().__init__(params, {**rates, "momentum": listed(momentum), "weight_decay": listed(weight_decay)})
        for group in self.param_groups:
            group["weight_decay"] = listed(group["weight_decay"])
            for name in ("lr", "rates", "momentum", "weight_decay"):
                values = group[name] if isinstance(group[name], list) else [group[name]]
                if min(values) < 0:
                    raise ValueError(f"{name} is not negative, found {group[name]}")
                if any(isinstance(group[name], list) and len(values) != len(parameter) for parameter in group["params"]):
                    raise ValueError(f"{name} is one number, or one for each of {len(group['params'][0])} replicas, found {len(values)}")
        self.products: dict[Tensor, tuple[Tensor, Tensor]] = {}
        """Gradients left' right of the next step, (replicas, cases, ...) each, that are added as products and never stand in `.grad`."""

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
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [parameter for parameter in group["params"] if parameter.grad is not None and parameter not in self.products]
            if params:
                self._update(params, group)
            for parameter in group["params"]:
                if parameter in self.products:
                    self._add_product(parameter, *self.products[parameter], group)
        self.products.clear()
        return loss

    def _add_product(self, parameter: Tensor, left: Tensor, right: Tensor, group: dict[str, Any]) -> None:
        """The update by a gradient left' right: one pass over the memory less than writing the gradient and reading it."""
        rates, momentum, decay = (spread(group[name], parameter) for name in ("rates", "momentum", "weight_decay"))
        lr = group["lr"] * rates
        if group["momentum"] == 0.0:
            if group["weight_decay"] != 0.0:
                parameter.mul_(1 - lr * decay)
            parameter.baddbmm_((left * -lr).mT, right)
            return
        velocity = self.state[parameter].get("momentum_buffer")
        if velocity is None:
            velocity = self.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        if isinstance(momentum, Tensor):
            velocity.mul_(momentum).baddbmm_(left.mT, right)
        else:
            velocity.baddbmm_(left.mT, right, beta=momentum)
        if group["weight_decay"] != 0.0:
            velocity.add_(decay * parameter) if not isinstance(decay, Tensor) else velocity.addcmul_(parameter, decay)
        velocity_step = -lr if isinstance(lr, Tensor) else parameter.new_full((1, 1, 1), -lr)
        parameter.addcmul_(velocity, velocity_step)

    def _update(self, params: list[Tensor], group: dict[str, Any]) -> None:
        gradients = [parameter.grad for parameter in params if parameter.grad is not None]
        moving = group["momentum"] != 0.0
        first = moving and "momentum_buffer" not in self.state[params[0]]
        if first:
            for parameter in params:
                self.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        velocities = [self.state[parameter]["momentum_buffer"] for parameter in params] if moving else []
        alike = not any(isinstance(group[name], list) for name in ("rates", "momentum", "weight_decay"))
        if FUSED is not None and alike:
            settings = [settings_of(group, 0)]
            parts: list[tuple[Any, ...]] = [(params, gradients, velocities)]
        elif FUSED is not None and params[0].device.type == "cpu":  # a replica at a time, which stays in the cache
            settings = [settings_of(group, replica) for replica in range(len(params[0]))]
            each = [[tensor.unbind() for tensor in tensors] for tensors in (params, gradients, velocities)]
            parts = [tuple([tensor[replica] for tensor in tensors] for tensors in each) for replica in range(len(params[0]))]
        else:
            elementwise(params, gradients, velocities, group)
            return
        for (part, slopes, moved), own in zip(parts, settings, strict=True):
            FUSED(part, slopes, moved if own["momentum"] else [], **own, **ALWAYS, is_first_step=first and own["momentum"] != 0.0)


ALWAYS = {"dampening": 0.0, "nesterov": False, "maximize": False, "grad_scale": None, "found_inf": None}


def settings_of(group: dict[str, Any], replica: int) -> dict[str, float]:
    """The settings of one replica."""
    own = {name: group[name][replica] if isinstance(group[name], list) else group[name] for name in ("rates", "momentum", "weight_decay")}
    return {"lr": group["lr"] * own["rates"], "momentum": own["momentum"], "weight_decay": own["weight_decay"]}


def elementwise(params: list[Tensor], gradients: list[Tensor], velocities: list[Tensor], group: dict[str, Any]) -> None:
    """The rule by plain operations on all replicas at once, for devices on which many small kernels cost more."""
    for index, (parameter, gradient) in enumerate(zip(params, gradients, strict=True)):
        lr, momentum, decay = (spread(group[name], parameter) for name in ("rates", "momentum", "weight_decay"))
        slope = gradient + decay * parameter
        if velocities:
            slope = velocities[index].mul_(momentum).add_(slope)
        parameter.sub_(group["lr"] * lr * slope)


def spread(setting: Each, like: Tensor) -> Tensor | float:
    """A setting in a shape that broadcasts to a parameter, (replicas, ...)."""
    if isinstance(setting, float | int):
        return setting
    return torch.tensor(setting, dtype=like.dtype).to(like.device, non_blocking=True).reshape(-1, *[1] * (like.dim() - 1))


def listed(setting: Any) -> Any:
    """One number, or a list of them: what a checkpoint can hold."""
    return setting if isinstance(setting, float | int) else [float(each) for each in setting]
