"""Whether a device computes what the CPU does in float64, waits for nothing inside an update, and resumes to the same bits: see `gpu`."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import harmonium as hm
from harmonium.data.batches import ArrayRows, Batches
from harmonium.learning import write_gradient
from harmonium.learning.contrast import Contrast, phase_of
from harmonium.learning.defaults import groups_of

STEADY = partial(hm.MomentumSGD, lr=0.01, momentum=0.9)  # the default rate depends on the length of a training
KINDS: dict[str, Callable[[], hm.Unit]] = {
    "Bernoulli": lambda: hm.Bernoulli(3),
    "Spin": lambda: hm.Spin(3),
    "Gaussian, variances learnt": lambda: hm.Gaussian(3, learn_variance=True),
    "Softmax": lambda: hm.Softmax(2, categories=3),
    "Binomial": lambda: hm.Binomial(2, copies=3),
    "SteppedSigmoid": lambda: hm.SteppedSigmoid(2, copies=3),
    "Poisson": lambda: hm.Poisson(2),
    "Exponential": lambda: hm.Exponential(2),
    "TruncatedGaussian": lambda: hm.TruncatedGaussian(2, learn_variance=True),
    "PooledBlocks": lambda: hm.PooledBlocks(4, pool=(2,)),
    "Gaussian and Bernoulli": lambda: hm.Groups(hm.Gaussian(1, learn_variance=True), hm.Bernoulli(2)),
}
BATCHES = Batches([ArrayRows(torch.zeros(1, 1))], batch_size=1, seed=0)
"""Of a single process and without weights, which is all that an update asks of them."""
CLOSE = 1e-9  # of 1 + |value|
SPREAD = 5  # standard errors


class Replayed(hm.Rule):
    """Particles that another machine drew."""

    paired = True

    def __init__(self, particles: Tensor) -> None:
        self.drawn = particles

    def particles(self, model: hm.RBM, positive: Any, slots: Any, *, generator: torch.Generator) -> Tensor:
        return self.drawn


class Kept(hm.ContrastiveDivergence):
    """CD-1 that shows its particles."""

    def particles(self, model: hm.RBM, positive: Any, slots: Any, *, generator: torch.Generator) -> Tensor:
        found = super().particles(model, positive, slots, generator=generator)
        object.__setattr__(self, "drawn", found)
        return found


def machine(kind: str) -> hm.RBM:
    """A small float64 machine with random parameters, the same at each call."""
    generator = torch.Generator().manual_seed(0)
    rbm = hm.RBM(KINDS[kind](), hm.Bernoulli(4)).double()
    with torch.no_grad():
        for parameter in rbm.parameters():
            size = 0.05 if parameter is rbm.coupling.weight else 0.3
            parameter.copy_(size * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return rbm


def states(rbm: hm.RBM, cases: int) -> Tensor:
    """Visible states drawn without the hidden layer, on the CPU."""
    return rbm.visible.sample(rbm.visible.zero_input(cases), generator=torch.Generator().manual_seed(1))


def difference(found: Tensor, expected: Tensor) -> float:
    """The largest one, relative to 1 + |expected|. Infinite for what is not finite."""
    error = ((found.detach().cpu() - expected.detach()).abs() / (1 + expected.detach().abs())).max().item()
    return error if error == error else float("inf")


def moments(kind: str, device: torch.device) -> dict[str, Any]:
    """Means, variances and log-partitions."""
    unit, other = machine(kind).visible, machine(kind).visible.to(device)
    input = 0.4 * torch.randn(64, *unit.statistic_shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    input = -input.abs() if kind == "Exponential" else input
    names = ("mean", "variance", "log_partition")
    error = max(difference(getattr(other, name)(input.to(device)), getattr(unit, name)(input)) for name in names)
    return {"passed": error <= CLOSE, "difference": error}


def gradient(kind: str, device: torch.device) -> dict[str, Any]:
    """The gradient of an update, given the same particles."""
    v = states(machine(kind), 20)
    found = []
    for place in (torch.device("cpu"), device):
        rbm, rows = machine(kind).to(place), v.to(place)
        write_gradient(rbm, rbm.infer(rows), Replayed(rows.flip(0)), {}, generator=torch.Generator(place))
        found.append(gradients(rbm))
    error = max(difference(there, here) for here, there in zip(*found, strict=True))
    return {"passed": error <= CLOSE, "difference": error}


def cd_step(kind: str, device: torch.device) -> dict[str, Any]:
    """A step of CD-1 and fused SGD. The CPU takes the particles that the device drew, because each kind of device draws its own."""
    v, rbm, other = states(machine(kind), 20), machine(kind), machine(kind).to(device)
    kept = Kept()
    step_of(other, kept, device)(v.to(device))
    step_of(rbm, Replayed(kept.drawn.cpu()), torch.device("cpu"))(v)
    error = max(difference(there, here) for here, there in zip(rbm.parameters(), other.parameters(), strict=True))
    return {"passed": error <= CLOSE, "difference": error}


def draws(kind: str, device: torch.device, count: int) -> dict[str, Any]:
    """The mean of many draws, in standard errors from what the CPU says it is."""
    unit, there = machine(kind).visible, machine(kind).visible.to(device)
    drawn = there.sample(there.zero_input(count), generator=torch.Generator(device).manual_seed(3)).cpu()
    mean, variance = (getattr(unit, name)(unit.zero_input(1))[0] for name in ("mean", "variance"))
    error = ((drawn.mean(0) - mean).abs() / ((variance / count).sqrt() + 1e-12)).max().item()
    return {"passed": error <= SPREAD, "standard_errors": error}


def gradients(rbm: hm.RBM) -> list[Tensor]:
    """Every gradient that is learnt."""
    return [parameter.grad for parameter in rbm.parameters() if parameter.grad is not None]


def step_of(rbm: hm.RBM, rule: hm.Rule, device: torch.device, dtype: torch.dtype | None = None, rate: float = 0.05) -> hm.learning.Step:
    """One update as `hm.fit` makes it, without the loop around it."""
    optimizer = hm.MomentumSGD(groups_of(rbm, 2e-4), lr=rate, momentum=0.9)
    state = hm.TrainingState(rbm, optimizer, torch.Generator(device).manual_seed(4), {})
    state.slots["rule"] = rule.init(rbm, state.generator)
    return hm.learning.Step(state, Contrast(state, rbm, phase_of(rbm, rule, None), rule, BATCHES), dtype=dtype)


@contextmanager
def no_waiting() -> Iterator[None]:
    """An error where the host waits for the GPU."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def waits(kind: str, device: torch.device) -> dict[str, Any]:
    """Whether the host waits in an update: gradient, optimiser's step and all."""
    if device.type != "cuda":
        return {"passed": None, "note": "only a GPU is waited for"}
    rbm = machine(kind).to(device)
    step, v = step_of(rbm, hm.ContrastiveDivergence(), device), states(machine(kind), 20).to(device)
    step(v)
    with no_waiting():
        step(v)
    return {"passed": True}


class Watched(hm.Callback):
    """Errors where the host waits, from the third to the tenth update."""

    def on_step(self, state: hm.TrainingState) -> None:
        if state.step in (2, 10):
            torch.cuda.set_sync_debug_mode("error" if state.step == 2 else "default")


def loop_waits(device: torch.device) -> dict[str, Any]:
    """The same of the updates of `hm.fit`, with the gather of shuffled rows."""
    if device.type != "cuda":
        return {"passed": None, "note": "only a GPU is waited for"}
    rows = torch.randint(256, (1200, 20), dtype=torch.uint8, generator=torch.Generator().manual_seed(5)).to(device)
    rbm = hm.RBM(hm.Bernoulli(20, values="probabilities"), hm.Bernoulli(7)).to(device)
    try:
        hm.fit(rbm, rows, epochs=1, callbacks=[Watched()], progress=False)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return {"passed": True}


def resumes(rule: hm.Rule, device: torch.device) -> dict[str, Any]:
    """Four epochs, and two with two after them from the file."""
    rows = (torch.rand(300, 12, generator=torch.Generator().manual_seed(6)) < 0.3).float().to(device)

    def learn(epochs: int, path: Path | None) -> hm.RBM:
        rbm = hm.RBM(hm.Bernoulli(12), hm.Bernoulli(7), seed=2).to(device)
        own = {"epochs": epochs, "batch_size": 50, "optimizer": STEADY, "checkpoint": path}
        hm.fit(rbm, rows, negative=rule, averaging=0.2, progress=False, **own)
        return rbm

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state"
        learn(2, path)
        pairs = zip(learn(4, None).parameters(), learn(4, path).parameters(), strict=True)
        return {"passed": all(torch.equal(one, other) for one, other in pairs)}


def records(rule: hm.Rule, device: torch.device) -> dict[str, Any]:
    """Three epochs whose updates are replayed as a CUDA graph, a short batch at the end of each, and three without."""
    if device.type != "cuda":
        return {"passed": None, "note": "only a GPU records"}
    rows = (torch.rand(310, 12, generator=torch.Generator().manual_seed(6)) < 0.3).float().to(device)
    found = []
    for capture in (False, True):
        rbm = hm.RBM(hm.Bernoulli(12), hm.Bernoulli(7), seed=2).to(device)
        state = hm.fit(rbm, rows, negative=rule, epochs=3, batch_size=50, optimizer=STEADY, averaging=0.2, capture=capture, progress=False)
        found.append([*rbm.parameters(), state.generator.get_state()])
    return {"passed": all(torch.equal(one, other) for one, other in zip(*found, strict=True))}


def checks(device: torch.device, drawn: int) -> list[dict[str, Any]]:
    """Every check, each with whether it passed (None where the device has no such thing). A fault in one leaves the others alone."""
    rules = {"CD-1": hm.ContrastiveDivergence(), "PCD": hm.PersistentCD(20)}
    planned: list[tuple[str, str, Callable[[], dict[str, Any]]]] = []
    for kind in KINDS:
        planned += [
            ("means, variances, log-partitions", kind, lambda kind=kind: moments(kind, device)),
            ("gradient of an update", kind, lambda kind=kind: gradient(kind, device)),
            ("a CD-1 step", kind, lambda kind=kind: cd_step(kind, device)),
            ("means of draws", kind, lambda kind=kind: draws(kind, device, drawn)),
            ("no wait in an update", kind, lambda kind=kind: waits(kind, device)),
        ]
    planned.append(("no wait in an update", "hm.fit", lambda: loop_waits(device)))
    for name, rule in rules.items():
        planned.append(("resumes to the same bits", name, lambda rule=rule: resumes(rule, device)))
        planned.append(("a recorded update learns the same bits", name, lambda rule=rule: records(rule, device)))
    return [{"check": check, "of": of, **guarded(work)} for check, of, work in planned]


def guarded(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the work gives, or its error as a check that failed."""
    try:
        return work()
    except Exception as error:  # whatever it is, the rest is still wanted
        return {"passed": False, "error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
