"""`make soak`: the campaigns of `make test` at full size. `python -m tests.soak --seed 1 --hours 8` goes on for at most so long.

Each has its share of the time: runs on a disk with room for every KiB of what they write, faults of the disk (more phases than in `make
test`, a disk that stays full, faults that come while a run recovers from the first), a long training, and mutated files for all parsers.
The same command goes on where it was stopped; another seed has other files and other moments. On a machine of several cores `--only inputs`
and `--only rooms faults steps` can run side by side.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import get_args

import pytest

from tests.faulty_disk import Fault
from tests.runs import test_faults
from tests.soak.guard import ROOT, Outcome, guarded
from tests.soak.parsers import PARSERS, shares
from tests.soak.progress import Campaign, Progress, carry_out
from tests.soak.test_growth import check

CAMPAIGNS = ("rooms", "faults", "steps", "inputs")
INPUTS, STEPS, PHASES, TWICE = 1_000_000, 1_000_000, 5, 2000
AT_ONCE = 5_000  # inputs of one process: what a death loses
STRETCH = 10_000  # steps between two looks at the time


def inputs(count: int, seed: int) -> Campaign:
    """Mutated files, some thousands of a kind in a process. Each kind has its part of whatever time there is."""
    parts = []
    for name, own in shares(count).items():
        firsts = range(0, own, AT_ONCE)
        for number, first in enumerate(firsts):
            piece = partial(guarded, min(AT_ONCE, own - first), 1000 * seed + number, [name], seconds=3600)
            parts.append((number / len(firsts), len(parts), piece))
    return Campaign(f"inputs for {len(PARSERS)} parsers", count, 0.5, [piece for _, _, piece in sorted(parts, key=lambda each: each[:2])])


def steps(count: int, folder: Path) -> Campaign:
    """A long training, which goes on from its checkpoint after each stretch. No stretch takes more than a short training."""

    def stretch(first: int, last: int) -> int:
        check(last, folder / "learning.safetensors")
        return last - first

    ends = [*range(STRETCH, count, STRETCH), count]
    pieces = [partial(tried, f"steps to {end:,}", partial(stretch, first, end)) for first, end in zip([0, *ends], ends, strict=False)]
    return Campaign("steps", count, 0.1, pieces)


def faults(seed: int) -> Campaign:
    """Faults of every kind at every operation, and pairs at random ones."""
    chance, operations = random.Random(seed), test_faults.whole(PHASES)[1].count
    struck = [(fault, at, 0) for at in range(1, operations + 1) for fault in get_args(Fault)]
    struck += [(chance.choice(get_args(Fault)), chance.randint(1, operations), chance.randint(1, operations // 2)) for _ in range(TWICE)]
    pieces = [partial(tried, f"{each}", partial(in_folder, test_faults.strike, *each)) for each in struck]
    return Campaign("faults of the disk", len(pieces), 0.25, pieces)


def rooms() -> Campaign:
    """A disk with room for every KiB of a run."""
    pieces = [partial(tried, f"room for {room:,} bytes", partial(in_folder, test_faults.fill, room)) for room in test_faults.rooms(PHASES)]
    return Campaign("sizes of a full disk", len(pieces), 0.15, pieces)


def in_folder(test: Callable[..., None], *given: object) -> int:
    """One run of a test in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        test(Path(folder), *given, phases=PHASES)
    return 1


def tried(what: str, work: Callable[[], int]) -> Outcome:
    """How many were covered, or what failed."""
    try:
        return Outcome(work(), [])
    except Exception as error:
        return Outcome(0, [f"{what}: {type(error).__name__}: {' '.join(str(error).split())[:300]}"])


def clear(folder: Path) -> None:
    """Deletes what campaigns kept of how far they had come."""
    for path in folder.iterdir():
        path.unlink()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--inputs", type=int, default=INPUTS)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--only", nargs="+", choices=CAMPAIGNS, default=CAMPAIGNS)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    folder = ROOT / "build" / "soak" / "-".join([str(options.seed), *(name for name in CAMPAIGNS if name in options.only)])
    folder.mkdir(parents=True, exist_ok=True)
    progress = Progress.of(folder / "progress.json", {"seed": options.seed, "inputs": options.inputs, "steps": options.steps})
    if not progress.done:
        clear(folder)
    with pytest.MonkeyPatch.context() as patch:
        test_faults.quick_sessions(patch)
        made = {
            "rooms": rooms,
            "faults": partial(faults, options.seed),
            "steps": partial(steps, options.steps, folder),
            "inputs": partial(inputs, options.inputs, options.seed),
        }
        campaigns = [made[name]() for name in CAMPAIGNS if name in options.only]
        if progress.done:
            print(f"Going on: {progress.told(campaigns)}", flush=True)
        carry_out(campaigns, progress, 3600 * options.hours, partial(print, flush=True))
    print(f"Seed {options.seed}: {progress.told(campaigns)}")
    if not any(map(progress.left, campaigns)):
        clear(folder)  # the next one begins anew
    sys.exit(bool(progress.failures))


if __name__ == "__main__":
    main()
