"""Progress of long loops where standard error is no terminal: a line a minute."""

import pytest

from harmonium import progress_bar


def test_a_line_a_minute_says_what_is_done_and_left(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([0.0, *(25.0 * number for number in range(8))])  # the start, and 25 s a step
    monkeypatch.setattr(progress_bar.time, "monotonic", lambda: next(clock))
    assert list(progress_bar.shown(list(range(8)), "annealing", True)) == list(range(8))
    lines = ["annealing: 38%  75 s, 125 s left", "annealing: 75%  150 s, 50 s left"]
    assert capsys.readouterr().err.splitlines() == lines


def test_nothing_is_said_of_quick_loops_or_where_it_is_not_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    for progress in (True, False):
        assert list(progress_bar.shown([1, 2, 3], "annealing", progress)) == [1, 2, 3]
    assert not capsys.readouterr().err
