"""Thousands of steps take no more memory and no more open files than hundreds, and a checkpoint grows by its rows of figures alone."""

import sys
import warnings
from pathlib import Path

import pytest

from harmonium.learning.advice import Advice
from tests.soak.growth import learn

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="sizes are read from /proc")


def check(steps: int, path: Path) -> None:
    """Learns up to so many steps, from where the checkpoint is if there is one. Measured are those that are learnt now."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Advice)  # nothing is in the data that could be learnt
        sizes, state = learn(steps, path)
    assert state.step == steps
    if len(sizes.memory) < 2:  # it was stopped after this, and before that was known
        return
    tenth = len(sizes.memory) // 10
    assert max(sizes.files) == sizes.files[1]  # the first epoch imports
    figures = 8 * len(state.history[-1]) + 4  # of a row: numbers, and which kind of row it is
    written = sizes.checkpoint[1:]  # the first epoch ends before its checkpoint
    steps_of_room = figures * len(state.history) / 8  # room grows by a part of all rows, once in many epochs
    allowed = figures * len(written) + steps_of_room + 256  # longer numbers in the header
    assert written[-1] - written[0] <= allowed, f"the checkpoint grew by {written[-1] - written[0]:,} bytes"
    grown = sizes.memory[-1] - sizes.memory[tenth]
    assert grown < (2 << 20) + 2000 * len(sizes.memory), f"memory grew by {grown:,} bytes"  # the history itself, as dicts, may


def test_two_thousand_steps(tmp_path: Path) -> None:
    check(2000, tmp_path / "state")
