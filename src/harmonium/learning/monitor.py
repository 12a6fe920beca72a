"""The metrics of an epoch, computed on a fixed part of the data."""

from __future__ import annotations

from torch import Tensor

from harmonium.data.batches import Batches, Stream
from harmonium.learning.cases import for_base_rates
from harmonium.learning.contrast import PositivePhase
from harmonium.learning.loop.plan import Plan
from harmonium.learning.loop.state import RULE, TrainingState
from harmonium.learning.rules import Rule
from harmonium.sampling.gaps import fill, gaps
from harmonium.units import NOTHING, Given, Unit

MONITORED = 1000  # cases for the metrics of an epoch


class Monitor:
    """Up to 1,000 training cases, and as many held-out ones if there are any.

    A stream has no training cases here. ValueError if the held-out cases are a stream.
    """

    def __init__(
        self, visible: Unit, phase: PositivePhase, plan: Plan, batches: Batches | Stream, held: Batches | Stream | None = None
    ) -> None:
        self.visible, self.phase, self.plan = visible, phase, plan
        self.like = visible.zero_input()
        self.training, self.shares, self.given = self._some(batches)
        self.held, _, self.held_given = (None, None, NOTHING) if held is None else self._some(held)
        if held is not None and self.held is None:
            raise ValueError("validation takes data that can be indexed by case number: a tensor, array or Source")

    @property
    def known(self) -> Given:
        """What is given of the training cases, what the cases themselves tell included."""
        return self.given if self.training is None else self.visible.given_by(self.training, self.given)

    @property
    def rows_for_base_rates(self) -> Tensor | None:
        """Training cases with filled gaps, as states of the machine's whole visible side."""
        if self.training is None:
            return None
        return self.phase.states(for_base_rates(self.visible, self.training, None, self.given))

    @property
    def some(self) -> tuple[Tensor, Tensor | None] | None:
        """The same, and their weights if they have any."""
        rows = self.rows_for_base_rates
        return None if rows is None else (rows, self.shares)

    def metrics(self, state: TrainingState, rule: Rule) -> dict[str, float]:
        """Metrics of the epoch that ends."""
        own = rule.metrics(state.slots[RULE])
        if self.training is None:
            return own
        generator = self.plan.generator(self.like, state.epoch)
        return self.phase.metrics(self.training, self.given, self.held, self.held_given, generator) | own

    def _some(self, batches: Batches | Stream) -> tuple[Tensor | None, Tensor | None, Given]:
        """Some rows, and what is given of them; none for a stream. The rows of a source are checked here."""
        found = batches.some(MONITORED, self.plan.generator(self.like))
        if not found:
            return None, None, NOTHING
        rows, shares, side = found
        self.visible.check(fill(self.visible, rows, gaps(side)))
        return rows, shares, side
