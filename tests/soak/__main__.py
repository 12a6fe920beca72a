"""`make soak`: the campaigns of `make test` at full size. `python -m tests.soak --seed 1 --hours 8` goes on for at most so long.

Mutated files come first, then a long training, then faults of the disk: more phases than in `make test`, a disk that stays full, and faults
that come while a run recovers from the first. Another seed has other files and other moments.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import get_args

import pytest

from tests.faulty_disk import Fault
from tests.runs import test_faults
from tests.soak.guard import guarded
from tests.soak.parsers import PARSERS, shares
from tests.soak.test_growth import check

INPUTS, STEPS, PHASES, TWICE = 1_000_000, 100_000, 5, 2000
AT_ONCE = 10_000  # inputs of one process: what a death loses


def fuzz(inputs: int, seed: int, until: float) -> bool:
    """Mutated files for all parsers, some thousands a process. Whether none did harm."""
    well, tried = True, 0
    for name, count in shares(inputs).items():
        for part in range(0, count, AT_ONCE):
            if time.time() > until:
                print(f"the time is over after {tried:,} inputs")
                return well
            outcome = guarded(min(AT_ONCE, count - part), seed + part, [name], seconds=3600)
            tried += outcome.inputs
            well &= not outcome.failures
            print(*outcome.failures, f"{name}: {tried:,} inputs in all", sep="\n", flush=True)
    return well


def growth(steps: int) -> bool:
    """A long training. Whether it took no more than a short one."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            check(steps, Path(folder) / "state")
        except AssertionError as error:
            print(f"{steps:,} steps: {error}")
            return False
    print(f"{steps:,} steps without growth", flush=True)
    return True


def disk(seed: int, until: float) -> bool:
    """Faults of every kind at every operation, and pairs at random ones. Whether every run had the bits of the undisturbed one."""
    chance, count = random.Random(seed), 0
    operations = test_faults.whole(PHASES)[1]
    single = [(fault, at, 0) for fault in get_args(Fault) for at in range(1, operations + 1)]
    double = [(chance.choice(get_args(Fault)), chance.randint(1, operations), chance.randint(1, operations // 2)) for _ in range(TWICE)]
    for fault, at, again in single + double:
        if time.time() > until:
            break
        with tempfile.TemporaryDirectory() as folder:
            try:
                test_faults.strike(Path(folder), fault, at, again, PHASES)
            except AssertionError as error:
                print(f"{fault} at {at}, then at {again}: {error}")
                return False
        count += 1
    print(f"{count:,} runs with faults, each with the bits of the one without", flush=True)
    return True


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--inputs", type=int, default=INPUTS)
    parser.add_argument("--steps", type=int, default=STEPS)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    until = time.time() + 3600 * options.hours
    with pytest.MonkeyPatch.context() as patch:
        test_faults.quick_sessions(patch)
        well = [fuzz(options.inputs, options.seed, until), growth(options.steps), disk(options.seed, until)]
    print(f"{len(PARSERS)} parsers; " + ("all is well" if all(well) else "there were failures: tests/corpus keeps the files"))
    sys.exit(not all(well))


if __name__ == "__main__":
    main()
