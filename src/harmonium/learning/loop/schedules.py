"""Learning rates and momenta that depend on the epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from torch.optim import Optimizer


class Scheduler(Protocol):
    """The interface of every `torch.optim.lr_scheduler` and of `Schedule`: stepped once per epoch, saved and restored with the state."""

    def step(self) -> None: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: dict[str, Any]) -> Any: ...


EPOCHS = (0, 1, 2, 3, 5, 8, 13, 21, 34, 55)  # epochs at which two schedules are compared


class Schedule:
    """Sets the learning rate and the momentum from the number of completed epochs.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        The optimiser.
    lr : callable, optional
        Epoch (from 0) -> factor on each group's own learning rate.
    momentum : callable, optional
        Epoch (from 0) -> momentum.

    Raises
    ------
    ValueError
        For a factor on the rate of an optimiser that has none, such as `ConjugateGradients`.

    Examples
    --------
    The momentum of Hinton's guide (2010, section 9):

    >>> from functools import partial
    >>> import torch, harmonium as hm
    >>> schedule = partial(hm.Schedule, momentum=lambda epoch: 0.5 if epoch < 5 else 0.9)
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> state = hm.fit(rbm, torch.eye(6), schedule=schedule, epochs=6, progress=False)
    >>> state.optimizer.param_groups[0]["momentum"]
    0.9
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        lr: Callable[[int], float] | None = None,
        momentum: Callable[[int], float] | None = None,
    ) -> None:
        if lr is not None and any("lr" not in group for group in optimizer.param_groups):
            raise ValueError(f"{type(optimizer).__name__} has no learning rate to schedule: leave schedule= out")
        self.optimizer, self.lr, self.momentum = optimizer, lr, momentum
        self.rates = [float(group.get("lr", 0.0)) for group in optimizer.param_groups]
        self.epoch = 0
        self._set()

    def _set(self) -> None:
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            if self.lr is not None:
                group["lr"] = rate * self.lr(self.epoch)
            if self.momentum is not None:
                group["momentum"] = self.momentum(self.epoch)

    def step(self) -> None:
        """Advance by one epoch."""
        self.epoch += 1
        self._set()

    def sampled(self) -> dict[str, list[float]]:
        """Some values of the functions, which tell two schedules apart."""
        found: dict[str, list[float]] = {}
        for name, function in (("lr", self.lr), ("momentum", self.momentum)):
            for epoch in EPOCHS if function is not None else ():
                try:
                    found.setdefault(name, []).append(float(f"{function(epoch):.6g}"))  # type: ignore[misc]
                except LookupError:  # a table that ends with the planned epochs
                    break
        return found

    def state_dict(self) -> dict[str, Any]:
        """The state, for a checkpoint."""
        return {"epoch": self.epoch, "rates": self.rates}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.epoch, self.rates = state_dict["epoch"], state_dict["rates"]
        self._set()
