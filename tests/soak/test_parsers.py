"""Twenty thousand mutated files, and every file that a parser once failed at: each is read, or refused by a ValueError or an OSError."""

import random
import sys
from pathlib import Path

import pytest

from tests.soak import campaign
from tests.soak.guard import guarded
from tests.soak.mutations import mutated
from tests.soak.parsers import PARSERS, Parser, shares

INPUTS = 20_000
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limits of memory and time are Linux's")


@pytest.mark.parametrize("alone", [False, True], ids=["all others", "parquet"])
def test_no_input_harms(alone: bool) -> None:
    """What other libraries leave in a process is room that polars lacks: it ends the process then, or waits for ever."""
    pytest.importorskip("mido", reason="the extra `music`")
    pytest.importorskip("polars", reason="the extra `frames`")
    pytest.importorskip("soundfile", reason="the extra `speech`")
    counts = {name: count for name, count in shares(INPUTS).items() if (name == "parquet") == alone}
    outcome = guarded(sum(counts.values()), 0, list(counts))
    assert not outcome.failures
    assert outcome.count >= sum(counts.values())


def test_shares_are_of_all_parsers() -> None:
    counts = shares(1000)
    assert counts.keys() == PARSERS.keys()
    assert sum(counts.values()) == 1000
    assert min(counts.values()) >= 5


def test_mutations_are_those_of_their_seed_and_no_originals() -> None:
    originals = [b"12 words and numbers", bytes(range(40))]
    one, other = ([mutated(originals, random.Random(seed)) for seed in range(200)] for _ in range(2))
    assert one == other
    assert len(set(one)) > 150
    assert sum(content in originals for content in one) < 20


def _forever(path: Path) -> None:
    while True:
        try:
            sum(range(1000))
        except Exception:
            continue


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (lambda path: {}["key"], "KeyError: 'key'"),
        (lambda path: int(path.read_text()), None),
        (lambda path: path.with_name("other").read_text(), None),
        (_forever, "Hang: more than"),
    ],
    ids=["another exception", "a ValueError", "an OSError", "no end"],
)
def test_what_counts_as_a_failure(read: object, expected: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "SECONDS", 0.2)
    before = campaign.signal.signal(campaign.signal.SIGPROF, campaign._hang)
    parser = Parser(1, "input", lambda folder: [], read)  # type: ignore[arg-type]
    try:
        found = campaign.fault(parser, b"words", tmp_path / "at")
    finally:
        campaign.signal.signal(campaign.signal.SIGPROF, before)
    assert found == expected or (expected is not None and found is not None and found.startswith(expected))
