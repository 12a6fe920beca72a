"""The time of one update of discriminative fine-tuning, beside that of its own matrix products, on the CPU.

    python benchmarks/fine_tuning_step.py --json fine_tuning.json
    python benchmarks/fine_tuning_step.py --rounds 2 --repeats 5        # a quick look
    python benchmarks/fine_tuning_step.py --net convolutional

The dense net is 784-500-500-2000-10, of sigmoid units with a softmax on top; the convolutional one is that of mnist-conv, unrolled from 32
and 64 maps of 5 x 5 kernels with blocks of 2 x 2. Each round measures every line once, in an order that rotates from round to round; the
ratio is taken inside a round, to the products of the same precision, and its median shown.

The lines, in each precision:
- matrix products: the floor, eleven of them: four up, four of gradients and three down, and nothing else. Of the convolutional net they are
  two convolutions, channels last, and a product, with all their gradients but that of the pixels.
- harmonium: an update: the gradient on one batch of floats, with its errors for the epoch's figures, and a step of fused SGD with momentum.
- harmonium: a step of hm.fine_tune: an epoch of it divided by its updates, with all that users get: the gather of shuffled rows, the checks
  for non-finite values, and its figures.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Literal

import torch
import tyro
from rich.console import Console
from torch import nn
from torch.nn import functional as F

import harmonium as hm
from gpu_checks import BATCHES
from harmonium.learning.backpropagation import Backpropagation, groups_of
from machine import as_users_run, load_average, machine, write
from ours import Clock, repeated
from rounds import beside_floors, floors_table, turn_about

SIZES = (784, 500, 500, 2000, 10)
NAMES = {"dense": "784-500-500-2000-10", "convolutional": "32 and 64 maps of 5 x 5 kernels, pooled"}
BAR = 1.25  # times the products, at most
OPTIMIZER = partial(hm.MomentumSGD, lr=0.01, momentum=0.9)
PRECISIONS: dict[Literal["float32", "bfloat16"], torch.dtype | None] = {"float32": None, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Arguments:
    """Times one update of fine-tuning beside its own matrix products."""

    net: Literal["dense", "convolutional"] = "dense"
    batch: int = 100
    """Cases in a batch."""
    rounds: int = 9
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
        if min(self.batch, self.rounds, self.repeats, self.threads) < 1 or self.rows < self.batch:
            raise ValueError(f"expected at least one of everything, and a batch of rows, found {self}")


def net() -> nn.Sequential:
    """784-500-500-2000-10."""
    hidden = [part for sizes in pairwise(SIZES[:-1]) for part in (nn.Linear(*sizes), nn.Sigmoid())]
    return nn.Sequential(*hidden, nn.Linear(*SIZES[-2:]))


def floor(batch: int, dtype: torch.dtype) -> Callable[[], None]:
    """The products alone, into buffers that are there already."""
    weights = [torch.randn(sizes).mul_(0.01).to(dtype) for sizes in pairwise(SIZES)]
    slopes = [torch.empty_like(weight) for weight in weights]
    read = [torch.rand(batch, size).to(dtype) for size in SIZES]
    written = [torch.empty_like(states) for states in read]

    def products() -> None:
        for layer, weight in enumerate(weights):
            torch.mm(read[layer], weight, out=written[layer + 1])
        for layer, weight in reversed(list(enumerate(weights))):
            torch.mm(read[layer].t(), read[layer + 1], out=slopes[layer])
            if layer:
                torch.mm(read[layer + 1], weight.t(), out=written[layer])

    return products


def convolutional_net() -> nn.Sequential:
    """That of mnist-conv, from layers which have learnt nothing."""
    below = hm.Convolutional((1, 28, 28), 32, kernel=5, scale=0.1)
    above = hm.Convolutional((32, 12, 12), 64, kernel=5, scale=0.1)
    rbms = [hm.RBM(hm.Bernoulli(each.visible, values="probabilities"), pooled(each), each) for each in (below, above)]
    return hm.nets.classifier(hm.DBN(rbms), SIZES[-1])


def pooled(coupling: hm.Convolutional) -> hm.PooledBlocks:
    return hm.PooledBlocks(coupling.hidden, pool=(2, 2), bias_shape=(coupling.channels, 1, 1))


def convolutional_floor(batch: int, dtype: torch.dtype) -> Callable[[], None]:
    """The convolutions of that net and their gradients alone, and the product of its last layer with its own."""
    order = {"memory_format": torch.channels_last}
    kernels = [torch.randn(size).mul_(0.1).to(dtype, **order) for size in ((32, 1, 5, 5), (64, 32, 5, 5))]
    read = [torch.rand(batch, *size).to(dtype, **order) for size in ((1, 28, 28), (32, 12, 12))]
    slopes = [torch.rand_like(F.conv2d(x, kernel)) for x, kernel in zip(read, kernels, strict=True)]
    top, weight, error = torch.rand(batch, 1024).to(dtype), torch.rand(1024, SIZES[-1]).to(dtype), torch.rand(batch, SIZES[-1]).to(dtype)
    backward = partial(
        torch.ops.aten.convolution_backward,
        bias_sizes=None,
        stride=(1, 1),
        padding=(0, 0),
        dilation=(1, 1),
        transposed=False,
        output_padding=(0, 0),
        groups=1,
    )

    def products() -> None:
        for x, kernel in zip(read, kernels, strict=True):
            F.conv2d(x, kernel)
        for product in ((top, weight), (top.t(), error), (error, weight.t())):
            torch.mm(*product)
        for layer in (1, 0):
            backward(slopes[layer], read[layer], kernels[layer], output_mask=(layer == 1, True, False))

    return products


NETS: dict[str, tuple[Callable[[], nn.Sequential], Callable[[int, torch.dtype], Callable[[], None]]]] = {
    "dense": (net, floor),
    "convolutional": (convolutional_net, convolutional_floor),
}


def contenders(args: Arguments) -> dict[str, Callable[[], float]]:
    """Milliseconds an update, by what is measured, for one precision after the other."""
    made, products = NETS[args.net]
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(args.rows, SIZES[0], generator=generator)
    labels = torch.randint(SIZES[-1], (args.rows,), generator=generator)
    x, y = images[: args.batch], labels[: args.batch]

    def update(dtype: torch.dtype | None) -> Callable[[], None]:
        learnt = made()
        state = hm.TrainingState(learnt, OPTIMIZER(groups_of(learnt, learnt[-1], 0.0)), generator, {})
        return partial(hm.learning.Step(state, Backpropagation(state, F.cross_entropy, learnt[-1], 0, BATCHES, dtype, rebinds=True)), x, y)

    def epoch(precision: Literal["float32", "bfloat16"]) -> float:
        clock = Clock()
        settings = {"batch_size": args.batch, "head_epochs": 0, "optimizer": OPTIMIZER, "progress": False}
        done = hm.fine_tune(made(), images, labels, epochs=1, callbacks=[clock], precision=precision, **settings)
        return 1e3 * clock.seconds / done.step

    lines: dict[str, Callable[[], float]] = {}
    for precision, dtype in PRECISIONS.items():
        lines[f"matrix products, {precision}"] = partial(repeated, products(args.batch, dtype or torch.float32), args.repeats)
        lines[f"harmonium: an update, {precision}"] = partial(repeated, update(dtype), args.repeats)
        lines[f"harmonium: a step of hm.fine_tune, {precision}"] = partial(epoch, precision)
    return lines


def main(args: Arguments) -> None:
    torch.set_num_threads(args.threads)
    console = Console(width=None if sys.stdout.isatty() else 120)
    busy = load_average(console)
    times = turn_about(contenders(args), args.rounds, console)
    bars = {f"harmonium: an update, {precision}": BAR for precision in PRECISIONS}
    rows = beside_floors(times, lambda name: f"matrix products, {name.rsplit(', ', 1)[1]}", bars)
    console.print(floors_table(rows, f"{NAMES[args.net]}, batches of {args.batch}"))
    on = {**machine(), "load_average_before": busy}
    console.print(f"Random inputs, {args.rows} cases an epoch; medians of {args.rounds} rounds; {args.threads} threads. Machine: {on}")
    if args.json is not None:
        settings = {name: value for name, value in asdict(args).items() if name != "json"}
        write(args.json, {"settings": settings, "machine": on, "lines": rows})


if __name__ == "__main__":
    as_users_run()
    main(tyro.cli(Arguments))
