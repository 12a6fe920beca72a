"""One update: it reads nothing back from the device, rebinds no gradient, and goes down through the code without a way back up."""

import copy
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import harmonium as hm
from harmonium.learning.loop.step import Step

PACKAGE = Path(hm.__file__).parent
STEADY = partial(hm.MomentumSGD, lr=0.01, momentum=0.9)  # a rate that falls inside an epoch is no part of a recording
ROWS = (torch.rand(40, 6, generator=torch.Generator().manual_seed(0)) < 0.5).float()
WATCHED = 3  # the update that is looked at: the first ones allocate
READS = {
    "aten._local_scalar_dense.default",  # .item(), bool(), float() and int()
    "aten.equal.default",
    "aten.is_nonzero.default",
    "aten.nonzero.default",
    "aten.masked_select.default",
    "aten._unique2.default",
    "aten.unique_dim.default",
    "aten.bincount.default",
    "aten.repeat_interleave.Tensor",
}


class Reads(TorchDispatchMode):
    """Notes every operation whose result or shape depends on values, for which a GPU makes the host wait."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        name = str(operation)
        masked = name in ("aten.index.Tensor", "aten.index_put_.default") and any(
            each is not None and each.dtype == torch.bool for each in args[1]
        )
        if masked or name in READS:
            self.found.append(name)
        return operation(*args, **(kwargs or {}))


@contextmanager
def watching(monkeypatch: pytest.MonkeyPatch, watch: Callable[[Step, Callable[[], None]], None]) -> Iterator[None]:
    """Hands one update of a training, as a function, to `watch`."""
    plain, seen = Step.__call__, []

    def call(step: Step, *batch: Any) -> None:
        if step.state.step + 1 == WATCHED:
            seen.append(step)
            watch(step, lambda: plain(step, *batch))
        else:
            plain(step, *batch)

    monkeypatch.setattr(Step, "__call__", call)
    yield
    assert seen


def fitted(visible: hm.Unit = hm.Bernoulli(6), hidden: hm.Unit = hm.Bernoulli(4), rows: torch.Tensor = ROWS, **settings: Any) -> None:  # noqa: B008
    hm.fit(hm.RBM(*copy.deepcopy((visible, hidden))), rows, batch_size=10, epochs=2, **{"optimizer": STEADY, "progress": False, **settings})


def real(unit: hm.Unit) -> Callable[[], None]:
    """Learning of layers of this kind on either side."""
    rows = unit.sample(unit.zero_input(40), generator=torch.Generator().manual_seed(0)).detach()
    return lambda: fitted(unit, type(unit)(4), rows)


def deep() -> None:
    machine = hm.DBM([hm.Bernoulli(6), hm.Bernoulli(4), hm.Bernoulli(3)])
    hm.fit(machine, ROWS, negative=hm.PersistentCD(chains=7), batch_size=10, epochs=2, optimizer=STEADY, progress=False)


def up_and_down() -> None:
    net = hm.greedy(ROWS, [hm.Bernoulli(6), hm.Bernoulli(4), hm.Bernoulli(3)], epochs=1, progress=False)
    hm.wake_sleep(net.untie(), ROWS, batch_size=10, epochs=2, progress=False)


def classifier() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Sigmoid(), torch.nn.Linear(4, 2))
    hm.fine_tune(net, ROWS, torch.arange(40) % 2, batch_size=10, epochs=2, progress=False)


def dropping() -> None:
    parts = torch.nn.Linear(6, 4), torch.nn.Sigmoid(), hm.nets.Dropout(0.4), torch.nn.Linear(4, 2)
    hm.fine_tune(torch.nn.Sequential(*parts), ROWS, torch.arange(40) % 2, batch_size=10, epochs=2, progress=False)


def bounded_and_averaged() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Sigmoid(), torch.nn.Linear(4, 2))
    settings = {"max_norm": 0.3, "averaging": 0.5, "averaged": True}
    hm.fine_tune(net, ROWS, torch.arange(40) % 2, batch_size=10, epochs=2, head_epochs=0, progress=False, **settings)


def replicas_of_nets() -> None:
    nets = [torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Sigmoid(), torch.nn.Linear(4, 2)) for _ in range(3)]
    rates = partial(hm.ReplicaSGD, lr=[0.1, 0.2, 0.3], momentum=0.9)
    settings = {"optimizer": rates, "weight_cost": [0.1, 0.2, 0.3], "batch_size": 10, "epochs": 2, "progress": False}
    hm.fine_tune(hm.Replicas(nets), ROWS, torch.arange(40) % 2, **settings)


def replicas_of_machines() -> None:
    machines = hm.Replicas([hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), seed=seed) for seed in range(3)])
    steady = partial(hm.ReplicaSGD, lr=0.01, momentum=0.9)
    hm.fit(machines, ROWS, negative=hm.PersistentCD(chains=7), batch_size=10, epochs=2, optimizer=steady, progress=False)


GAPS = torch.rand(40, 6, generator=torch.Generator().manual_seed(1)) < 0.3
TRAININGS: dict[str, Callable[[], None]] = {
    "cd": fitted,
    "cd of means": lambda: fitted(negative=hm.ContrastiveDivergence(2, reconstruction="mean")),
    "pcd, centred": lambda: fitted(negative=hm.PersistentCD(chains=7), gradient="centred"),
    "pcd with restarts": lambda: fitted(negative=hm.PersistentCD(chains=7, sampler=hm.Gibbs(restarts=0.3))),
    "pcd with renewal": lambda: fitted(negative=hm.PersistentCD(chains=7, renewal=0.3)),
    "tempering, enhanced": lambda: fitted(negative=hm.PersistentCD(chains=7, sampler=hm.Tempering(3)), gradient="enhanced"),
    "fast weights, centred": lambda: fitted(negative=hm.FastPCD(chains=7), gradient="centred"),
    "ratio matching": lambda: fitted(negative=hm.RatioMatching()),
    "exact": lambda: fitted(negative=hm.ExactGradient()),
    "weights, averaging, sparsity": lambda: fitted(
        sample_weight=torch.linspace(0.1, 2, 40), averaging=0.5, sparsity=hm.Sparsity(target=0.1), weight_cost=1e-3
    ),
    "missing": lambda: fitted(given=hm.Given(missing=GAPS)),
    "absent": lambda: fitted(given=hm.Given(present=~GAPS)),
    "gaussian": real(hm.Gaussian(6, learn_variance=True)),
    "noisy": real(hm.NoisyReLU(6)),
    "spin": real(hm.Spin(6)),
    "stepped": lambda: fitted(hidden=hm.SteppedSigmoid(4, copies=4)),
    "softmax": lambda: fitted(hidden=hm.Groups(hm.Softmax(2, categories=3), hm.Bernoulli(2))),
    "pooled": lambda: fitted(hidden=hm.PooledBlocks((4,), pool=(2,))),
    "deep": deep,
    "up and down": up_and_down,
    "classifier": classifier,
    "classifier with dropout": dropping,
    "classifier, bounded and averaged": bounded_and_averaged,
    "replicas of nets": replicas_of_nets,
    "replicas of machines": replicas_of_machines,
}


@pytest.mark.parametrize("name", TRAININGS)
def test_an_update_reads_nothing_back_and_rebinds_no_gradient(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Poisson and truncated Gaussian units read where that costs nothing, on a CPU; the number of a document's words shapes its draw."""
    found: list[str] = []

    def watch(step: Step, update: Callable[[], None]) -> None:
        step.signal.rebinds = False  # as `fine_tune` says with capture=True
        learnt = [p for p in step.state.model.parameters() if p.requires_grad]
        before = [(p.data_ptr(), p.grad if p.grad is None else p.grad.data_ptr()) for p in learnt]
        with Reads() as reads:
            update()
        found.extend(reads.found)
        assert before == [(p.data_ptr(), p.grad if p.grad is None else p.grad.data_ptr()) for p in learnt]

    with watching(monkeypatch, watch):
        TRAININGS[name]()
    assert not found


def test_the_watch_sees_a_value_that_is_read() -> None:
    x = torch.rand(3)
    for read in (lambda: x.sum().item(), lambda: bool((x > 0).any()), lambda: x[x > 0.5], lambda: torch.equal(x, x)):
        with Reads() as reads:
            read()
        assert reads.found


ROOMS = [
    "learning/loop",
    "learning",
    "learning/rules",
    "sampling",
    "models",
    "couplings",
    "units",
    ".",
]  # files of no room, "seeds.py" and "processes.py", last


def test_a_batch_goes_down_through_five_files_of_learning_and_never_back_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each call within an update: the called room lies on the same floor as the caller's, or below it."""
    calls: list[tuple[str, str]] = []

    def place(frame: FrameType | None) -> str | None:
        while frame is not None and not frame.f_code.co_filename.startswith(str(PACKAGE)):
            frame = frame.f_back  # torch's decorators
        return None if frame is None else Path(frame.f_code.co_filename).relative_to(PACKAGE).as_posix()

    def trace(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(str(PACKAGE)):
            calls.append((place(frame.f_back) or "", place(frame) or ""))

    def watch(step: Step, update: Callable[[], None]) -> None:
        sys.setprofile(trace)
        try:
            update()
        finally:
            sys.setprofile(None)

    with watching(monkeypatch, watch):
        fitted()
    floors = {room: floor for floor, room in enumerate(ROOMS)}

    def floor(file: str) -> int:
        return floors[str(Path(file).parent.as_posix())]

    calls = [(caller, called) for caller, called in calls if caller and caller != called and not called.endswith("reduce.py")]
    assert len(calls) > 10
    assert not [(caller, called) for caller, called in calls if floor(called) < floor(caller)]
    entered = {"learning/loop/trainer.py"} | {called for _, called in calls if called.startswith("learning/")}
    assert len(entered - {"learning/loop/momentum.py"}) <= 5, sorted(entered)  # the optimiser sees gradients, not the batch
