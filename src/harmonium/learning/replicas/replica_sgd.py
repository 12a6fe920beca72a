"""Stochastic gradient descent with settings for each replica."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

Each = float | Sequence[float]
IN_CACHE = 5 << 20  # bytes of a parameter's replicas that are updated in turn


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
            for parameter in group["params"]:
                if parameter in self.products:
                    self._update(parameter, group, *self.products[parameter])
                elif parameter.grad is not None:
                    self._update(parameter, group, parameter.grad)
        self.products.clear()
        return loss

    def _update(self, parameter: Tensor, group: dict[str, Any], *factors: Tensor) -> None:
        """The update by a gradient, or by a gradient left' right, which then costs one pass over the memory less."""
        rates, momentum, decay = (column(group[name], parameter) for name in ("rates", "momentum", "weight_decay"))
        step, decays, moves = rates * -group["lr"], group["weight_decay"] != 0.0, group["momentum"] != 0.0
        if moves and "momentum_buffer" not in self.state[parameter]:
            self.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        if not moves:
            for theta, own, kept, *each in in_turn(parameter, step, 1 + step * decay, *factors):
                if decays:
                    theta.mul_(kept)
                add(theta, own, *each)
            return
        velocities = self.state[parameter]["momentum_buffer"]
        for theta, velocity, own, moved, cost, *each in in_turn(parameter, velocities, step, momentum, decay, *factors):
            add(velocity.mul_(moved), None, *each)
            if decays:
                velocity.addcmul_(theta, cost)
            theta.addcmul_(velocity, own)


def in_turn(parameter: Tensor, *others: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Parts of some tensors, (replicas, ...): those replicas at a time that stay in a processor's cache over several operations."""
    size = parameter[0].numel() * parameter.element_size()
    count = max(1, IN_CACHE // size) if parameter.device.type == "cpu" else len(parameter)
    return zip(*(torch.split(tensor, count) for tensor in (parameter, *others)), strict=True)


def add(target: Tensor, scale: Tensor | None, left: Tensor, right: Tensor | None = None) -> None:
    """Add a gradient, or the gradient left' right, to a tensor, times the scale of each replica. Factors may be of a shorter type."""
    if right is not None and right.dtype != target.dtype:
        add(target, scale, torch.bmm(left.mT, right).to(target.dtype))
    elif right is not None:
        target.baddbmm_((left if scale is None else left * scale).mT, right)
    elif scale is None:
        target.add_(left)
    else:
        target.addcmul_(left, scale)


def column(setting: Each, like: Tensor) -> Tensor:
    """A setting in a shape that broadcasts to a parameter, (replicas, ...)."""
    values = (float(setting),) * len(like) if isinstance(setting, float | int) else tuple(setting)
    return kept_column(values, like.dtype, like.device, like.dim())


@lru_cache(maxsize=64)
def kept_column(values: tuple[float, ...], dtype: torch.dtype, device: torch.device, dims: int) -> Tensor:
    """These values along the first of so many axes, made once."""
    return torch.tensor(values, dtype=dtype, device=device).reshape(-1, *[1] * (dims - 1))


def settings_of(group: dict[str, Any], replica: int) -> dict[str, float]:
    """The settings of one replica."""
    own = {name: group[name][replica] if isinstance(group[name], list) else group[name] for name in ("rates", "momentum", "weight_decay")}
    return {"lr": group["lr"] * own["rates"], "momentum": own["momentum"], "weight_decay": own["weight_decay"]}


def listed(setting: Any) -> Any:
    """One number, or a list of them: what a checkpoint can hold."""
    return setting if isinstance(setting, float | int) else [float(each) for each in setting]
