"""What the interactive page costs: frames a second, the time until it can be used, its size; and how much `harmonium watch` slows learning.

    python benchmarks/page.py --json page.json                            # both parts; about fifteen minutes on two cores
    python benchmarks/page.py --parts page --page runs/mnist-joint/page.html
    python benchmarks/page.py --parts watch --learn "mnist-joint --layers.epochs 1 --up-down.epochs 3"

Leave the machine alone meanwhile: what else it does is measured too.

- page: 784-500-500-2000 with labels, of random weights, which compress worse than learnt ones and have more units on; or a page of yours.
  Each round opens it anew from disk in Chromium without a window: the time is from navigation to when all can be used. Then it
  dreams with a label held, ten sweeps a second, and the frames that the browser asks for are counted, and the sweeps that it shows.
- watch: a recipe learns on one thread, alone and watched, in an order that turns from round to round. A watched run has its server, which
  looks as soon as there is a net, and a page that is open and dreams. The time is that of learning, as the run's own rows have it. The
  ratio is taken inside a round. On Linux also the seconds in which the run could have gone on and had no core, and those on a core, as the
  kernel counts them: they say how much of a difference is the page's, where the machine's own ups and downs are larger.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
from rich.console import Console

import harmonium as hm
from browser import chromium, opened
from harmonium.runs import Run
from machine import as_users_run, load_average, machine, write

SWEEPS = 4  # place of ten a second among the page's speeds
BARS = {"frames_a_second": 30.0, "seconds_to_use": 2.0, "bytes": 4_000_000, "slowdown_percent": 5.0}
COUNT = """seconds => new Promise((found) => {
  let [frames, began, last, longest] = [-1, null, null, 0];
  const first = harmonium.frame.count;
  const tick = (now) => {
    frames += 1;
    began ??= now;
    if (last !== null) longest = Math.max(longest, now - last);
    last = now;
    const passed = (now - began) / 1000;
    if (passed < seconds) requestAnimationFrame(tick);
    else found({ frames: frames / passed, sweeps: (harmonium.frame.count - first) / passed, longest });
  };
  requestAnimationFrame(tick);
})"""


@dataclass(frozen=True)
class Arguments:
    """Times the interactive page, and learning that is watched beside learning alone."""

    parts: tuple[Literal["page", "watch"], ...] = ("page", "watch")
    """What is measured."""
    page: Path | None = None
    """An interactive page; by default one of random weights."""
    sizes: tuple[int, ...] = (784, 500, 500, 2000)
    """The layers of the page of random weights."""
    rounds: int = 5
    """How often each is measured."""
    seconds: float = 10.0
    """In which frames are counted, in each round."""
    learn: str = "digits"
    """What learns while it is watched: the words after `harmonium run`."""
    smoke: bool = False
    """Everything once, within seconds. The figures mean nothing."""
    json: Path | None = None
    """A file to write the figures to."""

    def __post_init__(self) -> None:
        if self.rounds < 1 or self.seconds <= 0 or len(self.sizes) < 3:
            raise ValueError(f"expected a round, some seconds, and at least two layers above the pixels, found {self}")
        if self.json is not None and not self.json.absolute().parent.is_dir():
            raise ValueError(f"there is no folder for {self.json}")


def random_net(sizes: tuple[int, ...]) -> hm.DBN:
    """A belief net of ten labels whose directions are untied, so that each has weights of its own."""
    *below, penultimate, top = sizes
    layers = [hm.Bernoulli(size, values="probabilities") for size in (*below, penultimate)]
    rbms = [hm.RBM(low, hm.Bernoulli(high), seed=seed) for seed, (low, high) in enumerate(zip(layers, sizes[1:-1], strict=False))]
    beside = hm.Groups(layers[-1], hm.Softmax(1, categories=10))
    return hm.DBN([*rbms, hm.RBM(beside, hm.Bernoulli(top), seed=len(rbms))], labels=True).untie()


def of_the_page(path: Path, rounds: int, seconds: float, console: Console) -> dict[str, Any]:
    """Each round's figures, and what they come to."""
    found: dict[str, list[float]] = {"frames_a_second": [], "sweeps_a_second": [], "longest_frame_ms": [], "seconds_to_use": []}
    with chromium() as browser:
        for turn in range(rounds):
            with console.status(f"The page, round {turn + 1} of {rounds}"):
                page = opened(browser, f"{path.resolve().as_uri()}#mode=dream&held=3&speed={SWEEPS}")
                found["seconds_to_use"].append(page.evaluate("Number(document.documentElement.dataset.ready)") / 1000)
                page.wait_for_timeout(1000)  # until what opening left to do is done
                counted = page.evaluate(COUNT, seconds)
                found["frames_a_second"].append(counted["frames"])
                found["sweeps_a_second"].append(counted["sweeps"])
                found["longest_frame_ms"].append(counted["longest"])
                page.context.close()
    return {"bytes": path.stat().st_size, "values": found, **{name: float(np.median(values)) for name, values in found.items()}}


@contextmanager
def learning(words: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A run that learns on one thread, once it has its folder."""
    command = [sys.executable, "-m", "harmonium.cli", "run", *words, "--threads", "1", "--out", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        while not (folder / "config.json").exists():
            if process.poll() is not None:
                raise RuntimeError(f"`harmonium run {shlex.join(words)}` failed: {process.stderr.read().decode()}")  # type: ignore[union-attr]
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        yield process


@contextmanager
def watched(folder: Path) -> Iterator[str]:
    """The server of a run, by its address."""
    command = [sys.executable, "-m", "harmonium.cli", "watch", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        said = iter(server.stdout)  # type: ignore[arg-type]
        yield next(found[0] for line in said if (found := re.search(r"http://\S+/", line)))
        server.kill()


def ended(process: subprocess.Popen[bytes]) -> dict[str, float]:
    """Waits for a run. The seconds of its threads on a core and waiting for one, as last seen, where the system counts them."""
    found: dict[str, float] = {}
    while True:
        try:
            process.communicate(timeout=0.2)
            return found
        except subprocess.TimeoutExpired:
            accounts = []
            for path in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
                with suppress(OSError):  # a thread that has just ended
                    accounts.append([int(word) / 1e9 for word in path.read_text().split()[:2]])
            if accounts:
                found = dict(zip(("on_a_core", "waiting"), np.sum(accounts, axis=0).tolist(), strict=True))


def seconds_of_learning(words: list[str], browser: Any | None) -> dict[str, float]:
    """Of a whole run, which a page in this browser watches; and what `ended` found."""
    with tempfile.TemporaryDirectory() as room:
        folder = Path(room) / "run"
        with learning(words, folder) as process:
            if browser is None:
                account = ended(process)
            else:
                with watched(folder) as address:
                    context = browser.new_context(viewport={"width": 1280, "height": 800})
                    context.new_page().goto(f"{address}#mode=dream&held=3")
                    account = ended(process)
                    context.close()
        if process.returncode:
            raise RuntimeError(f"`harmonium run {shlex.join(words)}` failed")
        return {"learning": Run.open(folder).training_seconds, **account}


def of_watching(words: list[str], rounds: int, console: Console) -> dict[str, Any]:
    """Seconds of learning alone and watched, and their ratio in each round."""
    found: dict[str, list[dict[str, float]]] = {"alone": [], "watched": []}
    with chromium() as browser:
        for turn in range(rounds):
            for name in list(found)[:: -1 if turn % 2 else 1]:
                with console.status(f"Learning, round {turn + 1} of {rounds}: {name}"):
                    found[name].append(seconds_of_learning(words, browser if name == "watched" else None))
    keys = set.intersection(*(set(each) for runs in found.values() for each in runs))
    values = {name: {key: [each[key] for each in runs] for key in sorted(keys)} for name, runs in found.items()}
    slowdown = 100 * (np.array(values["watched"]["learning"]) / values["alone"]["learning"] - 1)
    medians = {f"{name}_{key}": float(np.median(each)) for name, kinds in values.items() for key, each in kinds.items()}
    return {"values": values, **medians, "slowdown_percent": float(np.median(slowdown)), "slowdowns_percent": slowdown.tolist()}


def shown(record: dict[str, Any]) -> str:
    """The figures in sentences, each beside its bar."""
    said = []
    if page := record.get("page"):
        values = page["values"]
        frames, use = values["frames_a_second"], values["seconds_to_use"]
        said += [
            f"Frames a second: {page['frames_a_second']:.1f} (rounds {min(frames):.1f} to {max(frames):.1f}), "
            f"the longest {page['longest_frame_ms']:.0f} ms, at {page['sweeps_a_second']:.1f} sweeps a second. "
            f"Bar: at least {BARS['frames_a_second']:g}.",
            f"Seconds until it can be used: {page['seconds_to_use']:.2f} (rounds {min(use):.2f} to {max(use):.2f}). "
            f"Bar: at most {BARS['seconds_to_use']:g}.",
            f"Size: {page['bytes']:,} bytes. Bar: at most {BARS['bytes']:,}.",
        ]
    if watch := record.get("watch"):
        each = ", ".join(f"{percent:+.1f}" for percent in watch["slowdowns_percent"])
        said.append(
            f"Learning `{record['settings']['learn']}`: {watch['alone_learning']:.1f} s alone, {watch['watched_learning']:.1f} s watched; "
            f"slower by {watch['slowdown_percent']:.1f} % (rounds {each}). Bar: less than {BARS['slowdown_percent']:g} %."
        )
        if "watched_waiting" in watch:
            said.append(
                f"By the kernel's account, {watch['alone_on_a_core']:.1f} s on a core alone, {watch['watched_on_a_core']:.1f} s watched; "
                f"waiting for one, {watch['alone_waiting']:.2f} s and {watch['watched_waiting']:.2f} s."
            )
    return "\n".join(said)


def main(args: Arguments) -> None:
    console = Console(width=None if sys.stdout.isatty() else 200)
    busy = load_average(console)
    rounds, seconds = (1, 0.5) if args.smoke else (args.rounds, args.seconds)
    words = [*shlex.split(args.learn), *(["--smoke"] if args.smoke else [])]
    settings = {**asdict(args), "page": None if args.page is None else str(args.page)}
    record: dict[str, Any] = {"settings": {name: value for name, value in settings.items() if name != "json"}}
    if "page" in args.parts:
        with tempfile.TemporaryDirectory() as folder:
            path = args.page or hm.report.page(random_net(args.sizes), Path(folder) / "page.html")
            record["page"] = of_the_page(path, rounds, seconds, console)
    if "watch" in args.parts:
        record["watch"] = of_watching(words, rounds, console)
    record |= {"machine": {**machine(), "load_average_before": busy}, "command": shlex.join(["python", *sys.argv])}
    print(shown(record))
    if args.json is not None:
        write(args.json, record)


if __name__ == "__main__":
    as_users_run()
    main(tyro.cli(Arguments))
