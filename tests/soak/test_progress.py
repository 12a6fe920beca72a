"""Campaigns share the time, tell how far they are, and go on where they were stopped."""

from pathlib import Path

import pytest

from tests.soak.guard import Outcome
from tests.soak.progress import Campaign, Progress, carry_out


class Clock:
    """A time that passes only where work is done."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def campaign(self, of: str, pieces: int, share: float, seconds: float, log: list[str], failures: tuple[str, ...] = ()) -> Campaign:
        def piece() -> Outcome:
            self.now += seconds
            log.append(of)
            return Outcome(10, list(failures))

        return Campaign(of, 10 * pieces, share, [piece] * pieces)


def begun(path: Path) -> Progress:
    return Progress.of(path, {"seed": 0})


def test_each_has_its_share_and_whoever_is_cut_short_what_is_left(tmp_path: Path) -> None:
    clock, log, said = Clock(), [], []  # type: ignore[var-annotated]
    both = [clock.campaign("inputs", 1000, 0.75, 1.0, log), clock.campaign("faults", 5, 0.25, 1.0, log)]
    progress = begun(tmp_path / "kept")
    carry_out(both, progress, 100, said.append, clock)
    assert clock.now == 100
    assert log == ["inputs"] * 75 + ["faults"] * 5 + ["inputs"] * 20
    assert said[:2] == ["310 of 10,000 inputs; 44 s left for them", "620 of 10,000 inputs; 13 s left for them"]
    assert progress.told(both) == "950 of 10,000 inputs, 50 of 50 faults; no failure; 100 s; the same command goes on"


def test_what_was_stopped_goes_on_and_does_nothing_twice(tmp_path: Path) -> None:
    clock, log = Clock(), []  # type: ignore[var-annotated]
    campaigns = [clock.campaign("inputs", 8, 0.5, 1.0, log, ("a.mat: KeyError",)), clock.campaign("faults", 6, 0.5, 1.0, log)]
    for _ in range(5):
        progress = begun(tmp_path / "kept")
        carry_out(campaigns, progress, 4, lambda line: None, clock)
    assert log.count("inputs") == 8
    assert log.count("faults") == 6
    assert clock.now == 14
    assert progress.told(campaigns) == "80 of 80 inputs, 60 of 60 faults; 8 failures (tests/corpus keeps the inputs); 14 s"
    assert not Progress.of(tmp_path / "kept", {"seed": 1}).done  # other files: from the beginning


def test_a_piece_that_was_stopped_is_done_again(tmp_path: Path) -> None:
    pieces = [lambda: Outcome(1, []), lambda: (_ for _ in ()).throw(KeyboardInterrupt), lambda: Outcome(1, [])]
    campaign = Campaign("faults", 3, 1.0, pieces)
    with pytest.raises(KeyboardInterrupt):
        carry_out([campaign], begun(tmp_path / "kept"), 100, lambda line: None)
    assert begun(tmp_path / "kept").left(campaign) == pieces[1:]
