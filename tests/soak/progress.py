"""Campaigns that share the time: told as they go, and gone on with after a stop."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harmonium.files import write_atomically
from tests.soak.guard import Outcome

TELL = 30.0  # seconds between lines


@dataclass(frozen=True)
class Campaign:
    """Pieces of work of one kind, each the same whenever it is done.

    `of`: what is counted. `size`: so many of it are in all pieces. `share`: of the time, beside those of the others.
    """

    of: str
    size: int
    share: float
    pieces: Sequence[Callable[[], Outcome]]


@dataclass
class Progress:
    """How far each campaign has come, in a file that is written after each piece. `asked`: what pieces there are depends on it."""

    path: Path
    asked: Mapping[str, Any]
    done: dict[str, int] = field(default_factory=dict)
    covered: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @classmethod
    def of(cls, path: Path, asked: Mapping[str, Any]) -> Progress:
        """Of a file with the same pieces, or else of the beginning."""
        kept = json.loads(path.read_text()) if path.exists() else {}
        return cls(path, **(kept if kept.get("asked") == asked else {"asked": asked}))

    def left(self, campaign: Campaign) -> Sequence[Callable[[], Outcome]]:
        """The pieces that are still to be done."""
        return campaign.pieces[self.done.get(campaign.of, 0) :]

    def add(self, campaign: Campaign, outcome: Outcome, seconds: float) -> None:
        """Counts a piece."""
        self.done[campaign.of] = self.done.get(campaign.of, 0) + 1
        self.covered[campaign.of] = self.covered.get(campaign.of, 0) + outcome.count
        self.failures += outcome.failures
        self.seconds += seconds
        write_atomically(self.path, json.dumps({name: value for name, value in asdict(self).items() if name != "path"}).encode())

    def of_campaign(self, campaign: Campaign) -> str:
        """So many of so many."""
        return f"{self.covered.get(campaign.of, 0):,} of {campaign.size:,} {campaign.of}"

    def told(self, campaigns: Sequence[Campaign]) -> str:
        """All that was covered, and what came of it."""
        failures = f"{len(self.failures)} failures (tests/corpus keeps the inputs)" if self.failures else "no failure"
        rest = "" if not any(map(self.left, campaigns)) else "; the same command goes on"
        return f"{', '.join(map(self.of_campaign, campaigns))}; {failures}; {spoken(self.seconds)}{rest}"


def carry_out(
    campaigns: Sequence[Campaign],
    progress: Progress,
    seconds: float,
    say: Callable[[str], object],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Works for so many seconds at most, but for the piece at work.

    Each campaign has its share of the time that is left when its turn comes. What it does not need is the others'.
    One that was cut short has another turn as long as there is time.
    """
    until = clock() + seconds
    while clock() < until and any(map(progress.left, campaigns)):
        waiting = [each for each in campaigns if progress.left(each)]
        for place, campaign in enumerate(waiting):
            began = clock()
            part = campaign.share / sum(each.share for each in waiting[place:])
            _turn(campaign, progress, began + part * (until - began), say, clock)


def _turn(campaign: Campaign, progress: Progress, until: float, say: Callable[[str], object], clock: Callable[[], float]) -> None:
    last = clock()
    for piece in progress.left(campaign):
        began = clock()
        if began >= until:
            return
        outcome = piece()
        progress.add(campaign, outcome, clock() - began)
        for line in outcome.failures:
            say(line)
        if last + TELL < clock() < until:
            last = clock()
            say(f"{progress.of_campaign(campaign)}; {spoken(until - last)} left for them")
    say(progress.of_campaign(campaign))


def spoken(seconds: float) -> str:
    """A time in hours and minutes, or in seconds.

    Examples
    --------
    >>> spoken(75.2), spoken(4000)
    ('75 s', '1 h 6 min')
    """
    hours, minutes = divmod(max(round(seconds / 60), 0), 60)
    return f"{seconds:.0f} s" if seconds < 120 else f"{hours} h {minutes} min" if hours else f"{minutes} min"
