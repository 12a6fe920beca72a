"""What the interactive page makes of a net, in Chromium, beside Python: its dreams, judged, and its classes of test digits.

    harmonium run mnist-joint --quick --seed 1
    python benchmarks/dreams.py --run runs/mnist-joint --json dreams.json

Dreams: a label is held, Gibbs sampling begins at random states with a seed of its own, and the page goes on for some sweeps; what its
screen then shows of the pixels is judged by the convolutional net of the run, which has learnt from real digits alone. Beside them stand
as many dreams by Python, whose weights are not rounded to bytes. Classes: by the labels' free energies, of the first test digits.
"""

from __future__ import annotations

import math
import shlex
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import tyro
from rich.console import Console
from torch import Tensor, nn

from browser import chromium, opened
from harmonium.begun import options_of
from harmonium.learning import predict
from harmonium.models import DBN, label_log_probability
from harmonium.recipes import MnistJoint
from harmonium.recipes.joint.recipe import judge_net
from harmonium.runs import Run
from machine import as_users_run, load_average, machine, markdown_table, write

RECOGNISED, AGREED = 90.0, 99.5  # percent, at least
AT_ONCE = 10  # dreams, or digits, that the page is asked for in one question
DREAM = """async ([label, seeds, marks]) => {
  const found = [];
  for (const seed of seeds) {
    await harmonium.ask("begin", { mode: "dream", seed, pixels: [], missing: [] });
    for (const [place, mark] of marks.entries()) {
      const frame = await harmonium.ask("step", { held: label, temperature: 1, times: mark - (marks[place - 1] ?? 0) });
      found.push(Array.from(frame.means[0]));
    }
  }
  return found;
}"""
CLASSIFY = "images => harmonium.ask('classify', { images })"


@dataclass(frozen=True)
class Arguments:
    """Has the page's dreams judged, and compares its classes with Python's."""

    run: Path
    """The folder of a finished run of mnist-joint."""
    dreams: int = 1000
    """Of all labels together, as many of each."""
    sweeps: tuple[int, ...] = (100, 300, 1000)
    """After which each dream is looked at."""
    digits: int = 1000
    """Test digits that are classified."""
    threads: int = 1
    """Of PyTorch."""
    json: Path | None = None
    """A file to write the figures to."""

    def __post_init__(self) -> None:
        if self.dreams < 1 or self.digits < 1 or not self.sweeps or list(self.sweeps) != sorted({0, *self.sweeps})[1:]:
            raise ValueError(f"expected at least one dream and digit, and rising numbers of sweeps, found {self}")
        if self.json is not None and not self.json.absolute().parent.is_dir():
            raise ValueError(f"there is no folder for {self.json}")


def page_dreams(page: Any, labels: Tensor, sweeps: tuple[int, ...], console: Console) -> Tensor:
    """(sweeps, dreams, pixels): what the page shows of dreams with these labels held, the seed of each its number."""
    page.click("#play")  # which pauses it: the page's own dream would be in the way
    found = []
    for label in labels.unique().tolist():
        for seeds in torch.split((labels == label).nonzero().flatten(), AT_ONCE):
            with console.status(f"The page dreams of a {label}: {len(found)} of {len(labels)} dreams"):
                pictures = torch.tensor(page.evaluate(DREAM, [label, seeds.tolist(), list(sweeps)]))
            found.extend(pictures.reshape(len(seeds), len(sweeps), -1))
    return torch.stack(found, 1)


@torch.no_grad()
def python_dreams(dbn: DBN, labels: Tensor, sweeps: tuple[int, ...], seed: int) -> Tensor:
    """The same by Python: chains begun at draws from the units' own biases, and a top-down pass."""
    generator = torch.Generator().manual_seed(seed)
    states, given = dbn.initial_states(len(labels), generator=generator, labels=labels)
    found, before = [], 0
    for mark in sweeps:
        states, before = dbn.machine.gibbs(states, steps=mark - before, generator=generator, given=given), mark
        found.append(dbn.data_mean(states, generator=generator, given=given))
    return torch.stack(found)


def recognised(judge: nn.Module, pictures: Tensor, labels: Tensor) -> dict[str, Any]:
    """The percentage that the judge takes for their label, its standard error, and the percentage of each label."""
    right = (predict(judge, pictures).argmax(1) == labels).double()
    share = right.mean().item()
    each = [100 * right[labels == label].mean().item() for label in labels.unique()]
    return {"percent": 100 * share, "standard_error": 100 * math.sqrt(share * (1 - share) / len(right)), "of_each_label": each}


def measure(args: Arguments, console: Console) -> dict[str, Any]:
    run = Run.open(args.run)
    options = options_of(run)
    if not isinstance(options, MnistJoint) or not run.finished:
        raise ValueError(f"{args.run} is no finished run of mnist-joint, whose judge is needed: `harmonium resume` finishes one")
    data, cases = options.cases()
    dbn, judge = options.learnt(run), judge_net(options, run, data, cases)
    labels = torch.arange(args.dreams) % data.classes
    labels = labels.sort().values
    images, truth = cases.test_images[: args.digits].float() / 255, cases.test_labels[: args.digits]
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        path = options.page(run, Path(folder) / "page.html")
        page = opened(browser, path.as_uri())
        classes = torch.tensor([each for some in torch.split(images, AT_ONCE) for each in page.evaluate(CLASSIFY, some.tolist())])
        dreams = page_dreams(page, labels, args.sweeps, console)
        size = path.stat().st_size
    by_python = label_log_probability(dbn, images).argmax(1)
    rows = [
        {"sweeps": mark, "page": recognised(judge, here, labels), "python": recognised(judge, there, labels)}
        for mark, here, there in zip(args.sweeps, dreams, python_dreams(dbn, labels, args.sweeps, 0), strict=True)
    ]
    return {
        "bytes": size,
        "agreed_percent": 100 * (classes == by_python).double().mean().item(),
        "error_percent": {
            "page": 100 * (classes != truth).double().mean().item(),
            "python": 100 * (by_python != truth).double().mean().item(),
        },
        "judge_error_percent": 100 * (predict(judge, cases.test_images).argmax(1) != cases.test_labels).double().mean().item(),
        "dreams": rows,
    }


def markdown(found: dict[str, Any], args: Arguments) -> str:
    """The table of the dreams, and what else was found."""
    lines = [
        [f"{row['sweeps']:,}", *(f"{row[side]['percent']:.1f} ± {row[side]['standard_error']:.1f}" for side in ("page", "python"))]
        for row in found["dreams"]
    ]
    table = markdown_table(["sweeps", "recognised of the page's dreams, %", "of Python's, %"], lines, words=0)
    agreed = f"Of the first {args.digits:,} test digits the page gives {found['agreed_percent']:.1f} % the class that Python gives"
    wrong = found["error_percent"]
    words = f"{agreed}; {wrong['page']:.1f} % are wrong, by Python {wrong['python']:.1f} %. The page has {found['bytes']:,} bytes."
    last = found["dreams"][-1]["page"]
    bars = f"Bars: at least {RECOGNISED:g} % recognised, and {AGREED:g} % of the classes the same."
    each = " ".join(f"{percent:.0f}" for percent in last["of_each_label"])
    judged = f"The judge errs on {found['judge_error_percent']:.2f} % of the test digits. Recognised at last, each label: {each} %."
    return "\n".join([*table, "", words, judged, bars])


def main(args: Arguments) -> None:
    torch.set_num_threads(args.threads)
    console = Console(width=None if sys.stdout.isatty() else 200)
    busy = load_average(console)
    found = measure(args, console)
    print(markdown(found, args))
    if args.json is not None:
        settings = {name: value for name, value in asdict(args).items() if name not in ("json", "run")}
        on = {**machine(), "load_average_before": busy}
        write(args.json, {"settings": settings, "machine": on, "command": shlex.join(["python", *sys.argv]), **found})


if __name__ == "__main__":
    as_users_run()
    main(tyro.cli(Arguments))
