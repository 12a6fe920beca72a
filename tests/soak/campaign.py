"""Inputs for the parsers in a process of their own, with little memory and little time for each.

`python -m tests.soak.campaign FOLDER` replays the corpus and tries mutated files. It prints a line for each input that a parser failed at,
and adds the input to the corpus. If the process dies, FOLDER holds the input that killed it (see `tests.soak.guard`).
"""

from __future__ import annotations

import argparse
import hashlib
import random
import resource
import shutil
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import torch

from tests.soak.mutations import mutated
from tests.soak.parsers import PARSERS, Parser, originals_of, shares

CORPUS = Path(__file__).parents[1] / "corpus"
ALLOWED = (ValueError, OSError)
MEMORY, SECONDS = 256 << 20, 2.0  # bytes beyond what the process has as a parser begins; of the processor, for an input


class Hang(BaseException):
    """An input took too long. No `except Exception` hides it."""


def _hang(number: int, frame: FrameType | None) -> None:
    raise Hang(f"more than {SECONDS:g} seconds")


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raises Hang within this after so many seconds of the processor, so that other work on the machine is no hang."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def fault(parser: Parser, content: bytes, folder: Path) -> str | None:
    """What a parser does with an input, if it is neither to read it nor to refuse it in an allowed way."""
    folder.mkdir()
    path = folder / parser.name
    path.write_bytes(content)
    try:
        with limited(SECONDS):
            parser.read(path)
    except ALLOWED:
        return None
    except (Exception, Hang) as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
    finally:
        shutil.rmtree(folder)  # of a process that died, the input stays
    return None


def keep(name: str, content: bytes) -> Path:
    """Adds an input to the corpus."""
    path = CORPUS / name / hashlib.sha256(content).hexdigest()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def corpus(name: str) -> list[Path]:
    """The inputs that a parser once failed at."""
    return sorted((CORPUS / name).glob("*")) if (CORPUS / name).is_dir() else []


def mutations(parser: Parser, originals: list[bytes], count: int, chance: random.Random) -> Iterator[bytes]:
    """Mutated files; half of them are mended, where a parser can be mended for."""
    for _ in range(count):
        content = mutated(originals, chance)
        yield parser.mend(content) if parser.mend and chance.random() < 0.5 else content


def little_memory(most: int) -> None:
    """Lets this process have so many bytes of address space more than it has."""
    has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (has + most, resource.RLIM_INFINITY))


def campaign(folder: Path, counts: dict[str, int], seed: int) -> tuple[int, int]:
    """Replays the corpus and tries so many mutated files of each kind. The numbers of inputs, and of those that a parser failed at."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGPROF, _hang)
    made = {name: originals_of(PARSERS[name]) for name in counts}
    for name, originals in made.items():  # which also imports whatever a parser imports
        for content in originals:
            at = folder / name
            at.mkdir(exist_ok=True)
            (at / PARSERS[name].name).write_bytes(content)
            PARSERS[name].read(at / PARSERS[name].name)
            shutil.rmtree(at)
    inputs = failures = 0
    for name, originals in made.items():
        little_memory(MEMORY)  # anew: pools and arenas that other parsers' libraries keep are none of this one's
        parser, chance = PARSERS[name], random.Random(f"{seed} {name}")
        known, found = set(), (path.read_bytes() for path in corpus(name))
        for content in (*found, *mutations(parser, originals, counts[name], chance)):
            inputs += 1
            wrong = fault(parser, content, folder / name)
            if wrong is not None:
                failures += 1
                if wrong[:60] not in known:  # one input of each kind of failure is enough
                    known.add(wrong[:60])
                    print(f"{keep(name, content)}: {wrong}", flush=True)
    return inputs, failures


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--parsers", nargs="*", default=list(PARSERS))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    inputs, failures = campaign(options.folder, shares(options.inputs, options.parsers), options.seed)
    print(f"{inputs} inputs, {failures} failures")


if __name__ == "__main__":
    main()
