"""What a learning step is measured against, and Harmonium's own: see `rbm_step` for what each line means."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

import harmonium as hm

HIDDEN = 500

optimizer = partial(hm.MomentumSGD, lr=0.05, momentum=0.9)


@dataclass(frozen=True)
class Contender:
    """`measure(images)`: milliseconds an update, on images (cases, 784) uint8."""

    name: str
    measure: Callable[[Tensor], float]
    peer: bool = False


def floor(batch: int, repeats: int, precision: str = "float32") -> Contender:
    """The five matrix products of a CD-1 update, into buffers that are there already."""
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32

    def measure(images: Tensor) -> float:
        v_0 = images[:batch].float().div_(255).to(dtype)
        weight = torch.randn(images.shape[1], HIDDEN).mul_(0.01).to(dtype)
        h_0, h_1 = torch.empty(batch, HIDDEN, dtype=dtype), torch.empty(batch, HIDDEN, dtype=dtype)
        v_1, data, model = torch.empty_like(v_0), torch.empty_like(weight), torch.empty_like(weight)

        def products() -> None:
            torch.mm(v_0, weight, out=h_0)
            torch.mm(h_0, weight.t(), out=v_1)
            torch.mm(v_1, weight, out=h_1)
            torch.mm(v_0.t(), h_0, out=data)
            torch.mm(v_1.t(), h_1, out=model)

        return repeated(products, repeats)

    return Contender("five matrix products" + suffix(precision), measure)


def gradient(batch: int, repeats: int, reconstruction: Literal["mean", "sample"]) -> Contender:
    """The CD-1 gradient alone, on one batch of floats."""
    from harmonium.learning import write_gradient  # here: what is measured against an older commit needs public names alone

    negative = hm.ContrastiveDivergence(reconstruction=reconstruction)

    def measure(images: Tensor) -> float:
        v = images[:batch].float().div_(255)
        rbm = machine(images)
        generator = torch.Generator().manual_seed(0)
        return repeated(lambda: write_gradient(rbm, rbm.infer(v), negative, {}, generator=generator), repeats)

    return Contender(f'harmonium: gradient, "{reconstruction}"', measure)


class Clock(hm.Callback):
    """Seconds from the start of training to the end of its last epoch."""

    def on_start(self, state: hm.TrainingState, epochs: int, batches: int) -> None:
        self.began = time.perf_counter()

    def on_epoch(self, state: hm.TrainingState) -> None:
        self.seconds = time.perf_counter() - self.began


def suffix(precision: str) -> str:
    """What the name of a contender says of its precision."""
    return "" if precision == "float32" else f", {precision}"


def fit(batch: int, precision: str = "float32") -> Contender:
    """An epoch of `hm.fit`, divided by its steps."""

    def measure(images: Tensor) -> float:
        clock = Clock()
        state = train(images, batch, clock, precision=precision)
        return 1e3 * clock.seconds / state.step

    return Contender("harmonium: a step of hm.fit" + suffix(precision), measure)


def train(images: Tensor, batch: int, *callbacks: hm.Callback, precision: str = "float32") -> hm.TrainingState:
    """One epoch, as users run it."""
    given = {} if precision == "float32" else {"precision": precision}  # a commit that is measured against may not know the argument
    negative = hm.ContrastiveDivergence(reconstruction="mean")
    return hm.fit(
        machine(images),
        images,
        negative=negative,
        epochs=1,
        batch_size=batch,
        optimizer=optimizer,
        weight_cost=2e-4,
        callbacks=callbacks,
        progress=False,
        **given,
    )


def machine(images: Tensor) -> hm.RBM:
    """Grey pixels as probabilities, and binary hidden units."""
    return hm.RBM(hm.Bernoulli(images.shape[1], values="probabilities"), hm.Bernoulli(HIDDEN))


def repeated(step: Callable[[], None], repeats: int) -> float:
    """Milliseconds a step: the mean of `repeats`, after some that wake the threads."""
    for _ in range(10):
        step()
    began = time.perf_counter()
    for _ in range(repeats):
        step()
    return 1e3 * (time.perf_counter() - began) / repeats
