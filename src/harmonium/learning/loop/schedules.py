"""Learning rates and momenta that change with the epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from torch.optim import Optimizer


class Scheduler(Protocol):
    """What every `torch.optim.lr_scheduler` is, and `Schedule` too: stepped once an epoch, saved and restored with the state."""

    def step(self) -> None: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: dict[str, Any]) -> Any: ...


EPOCHS = (0, 1, 2, 3, 5, 8, 13, 21, 34, 55)  # at which two schedules are compared


class Schedule:
    """Sets the learning rate and the momentum from the number of whole epochs done.

    `lr`: epoch -> factor on each group's own rate; `momentum`: epoch -> momentum. Give it to `fit` as
    `schedule=partial(Schedule, momentum=lambda epoch: 0.5 if epoch < 5 else 0.9)`, Hinton's rule (2010, section 9).
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        lr: Callable[[int], float] | None = None,
        momentum: Callable[[int], float] | None = None,
    ) -> None:
        self.optimizer, self.lr, self.momentum = optimizer, lr, momentum
        self.rates = [float(group["lr"]) for group in optimizer.param_groups]
        self.epoch = 0
        self._set()

    def _set(self) -> None:
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            if self.lr is not None:
                group["lr"] = rate * self.lr(self.epoch)
            if self.momentum is not None:
                group["momentum"] = self.momentum(self.epoch)

    def step(self) -> None:
        """One epoch has passed."""
        self.epoch += 1
        self._set()

    def sampled(self) -> dict[str, list[float]]:
        """Some values of the functions, by which two schedules can be told apart."""
        found: dict[str, list[float]] = {}
        for name, function in (("lr", self.lr), ("momentum", self.momentum)):
            for epoch in EPOCHS if function is not None else ():
                try:
                    found.setdefault(name, []).append(float(f"{function(epoch):.6g}"))  # type: ignore[misc]
                except LookupError:  # a table that ends with the planned epochs
                    break
        return found

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "rates": self.rates}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.epoch, self.rates = state_dict["epoch"], state_dict["rates"]
        self._set()
