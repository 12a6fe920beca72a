"""How long a training lasts."""

from __future__ import annotations

from dataclasses import dataclass

from harmonium.data.batches import Batches, Stream

UPDATES = 3_000
"""Updates of a training that is given no length."""
PASSES = 10
"""Epochs of one whose data are a stream, whose length is not known."""
USUAL = 100
"""Cases of a batch."""


@dataclass(frozen=True)
class Length:
    """The length of a training.

    Parameters
    ----------
    updates : int
        In all; 0 for a stream, whose length is not known.
    epoch : int, default 1
        Those of an epoch by batches of 100 cases, if batches are smaller: the noise of an update grows as batches shrink.
    cases : int, default 0
        Of an epoch, up to whole batches; 0 for a stream.
    """

    updates: int
    epoch: int = 1
    cases: int = 0

    @classmethod
    def of(cls, epochs: int, batches: int, batch_size: int) -> Length:
        """That of so many epochs, each of so many batches."""
        return cls(epochs * batches, -(-batches * min(batch_size, USUAL) // USUAL), batches * batch_size)


def epochs_of(epochs: int | None, updates: int | None, batches: Batches | Stream) -> int:
    """The number of epochs: the one given, or the fewest whole ones with at least so many updates.

    Learning takes updates: ten epochs of a thousand cases are a hundred of them, and hardly move a machine.
    """
    if epochs is not None and updates is not None:
        raise ValueError(f"the length is either epochs or updates, found epochs={epochs} and updates={updates}: give one of them")
    if epochs is not None:
        return epochs
    if isinstance(batches, Stream):
        if updates is not None:
            raise ValueError(f"a stream's epochs have an unknown number of updates, found updates={updates}: give epochs=")
        return 1 if batches.once else PASSES
    wanted = UPDATES if updates is None else updates
    if wanted < 0:
        raise ValueError(f"updates is a number of updates, zero or more, found {updates}")
    return -(-wanted // len(batches))
