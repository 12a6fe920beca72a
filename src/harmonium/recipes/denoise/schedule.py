"""How a noisy image is looked at: the weights of bottom-up and top-down effects, step by step, and the schedules that are tried."""

from __future__ import annotations

import itertools
from typing import NamedTuple

from harmonium.sampling import top_down


class Schedule(NamedTuple):
    """How an image is looked at: `steps` from bottom-up alone to (`bottom_up`, `top_down`), then `last` bottom-up ones."""

    steps: int
    bottom_up: float
    top_down: float
    last: int
    robust: float | None = None
    """The share of pixels that are doubted before any is looked at; None for no gate."""
    ink: float = 0.5
    """How probably a pixel of noise is on."""

    @property
    def path(self) -> list[tuple[float, float]]:
        """(bottom-up, top-down) of each step."""
        return [*top_down.linear(self.steps, bottom_up=self.bottom_up, top_down=self.top_down), *[(1.0, 0.0)] * self.last]

    @property
    def words(self) -> str:
        gate = "" if self.robust is None else f", gate {self.robust:g}, ink {self.ink:g}"
        return f"{self.steps} steps to ({self.bottom_up:g}, {self.top_down:g}), then {self.last} bottom-up{gate}"


ENDS = ((0.0, 1.0), (0.3, 0.7), (0.5, 0.5), (0.7, 0.3))
GATES = (
    *((15, *end, 4, robust) for end, robust in itertools.product(((0.0, 1.0), (0.3, 0.7), (1.0, 0.0)), (0.1, 0.3))),
    *((30, 0.0, 1.0, 10, robust) for robust in (0.2, 0.3, 0.4, 0.5)),
)
FAMILIES: dict[str, tuple[Schedule, ...]] = {
    "top-down": tuple(Schedule(steps, *end, last) for steps, end, last in itertools.product((5, 15), ENDS, (0, 4))),
    "gate": tuple(Schedule(*way) for way in GATES),
    "gate, noise is ink": tuple(Schedule(*way, 0.99) for way in GATES),
}
