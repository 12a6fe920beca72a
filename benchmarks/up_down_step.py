"""The time of one contrastive wake-sleep update of a deep belief net with labels, beside that of its own matrix products, on the CPU.

    python benchmarks/up_down_step.py --json up_down.json
    python benchmarks/up_down_step.py --rounds 2 --repeats 5        # a quick look

The net is 784-500-(500 + 10)-2000, all binary but the label, and the top RBM's particles are those of CD with `--steps` sweeps. Each round
measures every line once, in an order that rotates from round to round; the ratio is taken inside a round, and its median shown.

The lines:
- matrix products: the floor, which no update can beat that follows the same states: with the default three sweeps 21, by `torch.mm` into
  buffers that are there already, and nothing else. Three up; awake two down and two gradients; in the top RBM two a sweep and two
  gradients; asleep two down, two up and two gradients.
- harmonium: gradient: `hm.learning.UpDown` on one batch of floats, with its errors for the epoch's figures, no optimiser.
- harmonium: an update: the same, and a step of fused SGD with momentum 0.9 and a weight cost of 0.0002.
- harmonium: a step of hm.wake_sleep: an epoch of it divided by its updates, with all that users get: the gather of shuffled uint8 rows and
  their conversion, the checks for non-finite values, and its figures.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
import tyro
from rich.console import Console

import harmonium as hm
from harmonium.learning import UpDown
from harmonium.learning.wake_sleep import groups
from machine import as_users_run, load_average, machine, write
from ours import Clock, repeated
from rounds import beside_floors, floors_table, turn_about

SIZES, CLASSES = (784, 500, 500, 2000), 10
BAR = 1.5  # times the products, at most
OPTIMIZER = partial(hm.MomentumSGD, lr=1e-3, momentum=0.9)


@dataclass(frozen=True)
class Arguments:
    """Times one up-down update beside its own matrix products."""

    batch: int = 100
    """Cases in a batch."""
    steps: int = 3
    """Sweeps of contrastive divergence in the top RBM."""
    rounds: int = 7
    """How often each line is measured."""
    repeats: int = 30
    """Updates in one measurement."""
    rows: int = 6000
    """Cases that an epoch has."""
    threads: int = 2
    """Threads of PyTorch."""
    json: Path | None = None
    """A file to write the figures to."""

    def __post_init__(self) -> None:
        if min(self.batch, self.steps, self.rounds, self.repeats, self.threads) < 1 or self.rows < self.batch:
            raise ValueError(f"expected at least one of everything, and a batch of rows, found {self}")


def net() -> hm.DBN:
    """784-500-(500 + 10)-2000, untied."""
    pixels, first, second, top = SIZES
    joint = hm.Groups(hm.Bernoulli(second, values="probabilities"), hm.Softmax(1, categories=CLASSES))
    below = hm.RBM(hm.Bernoulli(pixels, values="probabilities"), hm.Bernoulli(first))
    middle = hm.RBM(hm.Bernoulli(first, values="probabilities"), hm.Bernoulli(second))
    return hm.DBN([below, middle, hm.RBM(joint, hm.Bernoulli(top))], untied=True, labels=True)


def floor(batch: int, steps: int) -> Callable[[], None]:
    """The products alone, by buffers of each layer's size, one of which is read while another is written."""
    below, joint = [SIZES[:2], SIZES[1:3]], (SIZES[2] + CLASSES, SIZES[3])
    weights = [torch.randn(shape).mul_(0.01) for shape in (*below, joint)]
    slopes = [torch.empty_like(weight) for weight in weights]
    read = {size: torch.rand(batch, size) for size in (*SIZES, joint[0])}
    written = {size: torch.empty(batch, size) for size in read}

    def up(weight: torch.Tensor) -> None:
        torch.mm(read[weight.shape[0]], weight, out=written[weight.shape[1]])

    def down(weight: torch.Tensor) -> None:
        torch.mm(read[weight.shape[1]], weight.t(), out=written[weight.shape[0]])

    def slope(weight: torch.Tensor, out: torch.Tensor) -> None:
        torch.mm(read[weight.shape[0]].t(), read[weight.shape[1]], out=out)

    def products() -> None:
        for weight in weights:
            up(weight)
        for _ in ("awake", "asleep"):
            for weight, out in zip(weights[:-1], slopes, strict=False):
                down(weight)
                slope(weight, out)
        for weight in weights[:-1]:
            up(weight)
        for _ in range(steps):
            down(weights[-1])
            up(weights[-1])
        for _ in ("data", "particles"):
            slope(weights[-1], slopes[-1])

    return products


def contenders(args: Arguments) -> dict[str, Callable[[], float]]:
    """Milliseconds an update, by what is measured."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (args.rows, SIZES[0]), dtype=torch.uint8, generator=generator)
    labels = torch.randint(CLASSES, (args.rows,), generator=generator)
    negative = hm.ContrastiveDivergence(args.steps)
    dbn = net()
    state = hm.TrainingState(dbn, OPTIMIZER(groups(dbn, 2e-4)), generator, {})
    state.slots["rule"], signal = {}, UpDown(state, lambda epoch: negative, "mean")
    v, y = images[: args.batch].float().div_(255), labels[: args.batch]

    def gradient() -> None:
        signal.gradient(v, y)

    def update() -> None:
        gradient()
        state.optimizer.step()

    def epoch() -> float:
        clock, learnt = Clock(), net()
        settings = {"negative": negative, "batch_size": args.batch, "optimizer": OPTIMIZER, "weight_cost": 2e-4, "progress": False}
        done = hm.wake_sleep(learnt, images, labels=labels, epochs=1, callbacks=[clock], **settings)
        return 1e3 * clock.seconds / done.step

    return {
        "matrix products": partial(repeated, floor(args.batch, args.steps), args.repeats),
        "harmonium: gradient": partial(repeated, gradient, args.repeats),
        "harmonium: an update": partial(repeated, update, args.repeats),
        "harmonium: a step of hm.wake_sleep": epoch,
    }


def main(args: Arguments) -> None:
    torch.set_num_threads(args.threads)
    console = Console(width=None if sys.stdout.isatty() else 120)
    busy = load_average(console)
    times = turn_about(contenders(args), args.rounds, console)
    rows = beside_floors(times, lambda name: "matrix products", {"harmonium: an update": BAR})
    console.print(floors_table(rows, f"784-500-(500 + 10)-2000, batches of {args.batch}, CD-{args.steps}"))
    on = {**machine(), "load_average_before": busy}
    console.print(f"Random uint8, {args.rows} cases an epoch; medians of {args.rounds} rounds; {args.threads} threads. Machine: {on}")
    if args.json is not None:
        settings = {name: value for name, value in asdict(args).items() if name != "json"}
        write(args.json, {"settings": settings, "machine": on, "lines": rows})


if __name__ == "__main__":
    as_users_run()
    main(tyro.cli(Arguments))
