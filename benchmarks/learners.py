"""Libraries that learn an RBM for a given time, each by its own public loop: see `nats` for what each line means.

A library is imported only when it is to learn, so that none has to be there.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import harmonium as hm
from harmonium.recipes.rbm.recipe import MnistRbm
from ours import HIDDEN

ENDLESS = 10**8  # updates or epochs: it is the clock that ends training

Parameters = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""W (visible, hidden), and the biases of the visible and of the hidden units."""


@dataclass(frozen=True)
class Setting:
    """How a library is asked to learn. `kind`: of a peer "as documented" or "searched", of Harmonium the precision."""

    library: str
    kind: str
    batch: int
    rate: float
    chains: int = 0
    """Persistent ones; without any it is contrastive divergence."""
    steps: int = 1
    """Sweeps an update."""
    momentum: float = 0.0
    hidden: int = HIDDEN

    @property
    def name(self) -> str:
        return f"{self.library}, {self.kind}"

    @property
    def words(self) -> str:
        rule = f"PCD-{self.steps} with {self.chains:,} chains" if self.chains else f"CD-{self.steps}"
        momentum = f", momentum {self.momentum:g}" if self.momentum else ""
        return f"{rule}, batches of {self.batch:,}, rate {self.rate:g}{momentum}"


def ours(kind: str = "float32") -> Setting:
    """The quick setting of the recipe `mnist-rbm`, in this precision."""
    plan = MnistRbm(quick=True).plan
    return Setting("harmonium", kind, plan.batch_size, plan.learning_rate, plan.chains, plan.gibbs_steps)


DOCUMENTED = (
    Setting("scikit-learn", "as documented", batch=10, rate=0.1, chains=10),  # the defaults of BernoulliRBM
    Setting("rbms", "as documented", batch=2000, rate=0.01, chains=2000, steps=100),  # the defaults of `rbms train`, and its README
    Setting("learnergy", "as documented", batch=128, rate=0.1),  # the quick start of its README
    Setting("ebmkit", "as documented", batch=128, rate=0.01),  # its example train_rbm.py; the rate is Adam's
)

SEARCHED = (
    Setting("scikit-learn", "searched", batch=500, rate=0.05, chains=500),
    Setting("rbms", "searched", batch=500, rate=1.0, chains=500),
    Setting("learnergy", "searched", batch=128, rate=0.1, steps=5),
)
"""The best of `GRID` on held-out cases, by `python benchmarks/nats.py --search --threads 1 --seconds 100`, beside other work."""

GRID = (
    *(Setting("scikit-learn", "searched", 100, rate, 100) for rate in (0.02, 0.05, 0.1)),
    *(Setting("scikit-learn", "searched", 500, rate, 500) for rate in (0.05, 0.1, 0.2)),
    *(Setting("rbms", "searched", 100, rate, 100) for rate in (0.03, 0.1)),  # it gives every gradient the norm 1
    *(Setting("rbms", "searched", 500, rate, 500) for rate in (0.03, 0.1, 0.3, 1.0)),
    *(Setting("learnergy", "searched", 100, rate) for rate in (0.05, 0.1, 0.2)),
    *(Setting("learnergy", "searched", 100, rate, momentum=0.5) for rate in (0.05, 0.1)),
    Setting("learnergy", "searched", 128, 0.1, steps=5),
)


@dataclass(frozen=True)
class Kept:
    """Parameters as they were after so many seconds and updates; `mark` is when they were asked for."""

    mark: float
    seconds: float
    updates: int
    parameters: Parameters


def copied(part: Any) -> NDArray[np.float32]:
    """An array or tensor that later updates leave alone."""
    return torch.as_tensor(part).detach().to(torch.float32, copy=True).contiguous().numpy()


class Over(Exception):
    """The time is up."""


class Clock:
    """Keeps the parameters at the first update that ends at each mark (seconds) or after; raises `Over` at the last."""

    def __init__(self, marks: Sequence[float]) -> None:
        self.due, self.updates, self.kept = list(marks), 0, list[Kept]()
        self.began = time.perf_counter()

    def start(self) -> None:
        """Training begins now: what came before is not counted."""
        self.began = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.began

    def tick(self, parameters: Callable[[], Sequence[Any]]) -> None:
        """An update is done. `parameters`: W (visible, hidden) and both biases, asked for only when they are to be kept."""
        self.updates += 1
        seconds = self.seconds
        while self.due and seconds >= self.due[0]:
            if not self.kept or self.kept[-1].updates < self.updates:
                weight, visible, hidden = (copied(part) for part in parameters())
                self.kept.append(Kept(self.due[0], seconds, self.updates, (weight, visible, hidden)))
            else:
                self.kept[-1] = replace(self.kept[-1], mark=self.due[0])  # one update passed several marks
            self.due.pop(0)
        if not self.due:
            raise Over


class Pace(hm.Callback):
    """A rate that falls linearly to zero until the clock's last mark, and the averaged parameters for the clock."""

    def __init__(self, clock: Clock, rate: float) -> None:
        self.clock, self.end, self.rate = clock, clock.due[-1], rate

    def on_step(self, state: hm.TrainingState) -> None:
        for group in state.optimizer.param_groups:
            group["lr"] = self.rate * max(0.0, 1 - self.clock.seconds / self.end)
        self.clock.tick(lambda: [state.average[name] for name in ("coupling.weight", "visible.bias", "hidden.bias")])


def harmonium(images: Tensor, setting: Setting, clock: Clock, seed: int) -> None:
    """`hm.fit` as the recipe has it, but that the rate falls with the seconds, not with the epochs."""
    chosen = MnistRbm(quick=True, seed=seed)
    rbm = chosen.machine()
    clock.start()
    hm.fit(
        rbm,
        images,
        negative=hm.PersistentCD(setting.chains, setting.steps),
        epochs=ENDLESS,
        batch_size=setting.batch,
        optimizer=partial(hm.MomentumSGD, lr=setting.rate),
        gradient=chosen.plan.gradient,
        averaging=chosen.plan.averaging,
        precision=setting.kind,
        seed=seed,
        callbacks=[Pace(clock, setting.rate)],
        progress=False,
    )


def scikit_learn(images: Tensor, setting: Setting, clock: Clock, seed: int) -> None:
    """`BernoulliRBM.fit` on float32; `partial_fit` would work in float64. It keeps as many chains as a batch has cases."""
    from sklearn.neural_network import BernoulliRBM

    class Timed(BernoulliRBM):
        def _fit(self, v_pos: Any, rng: Any) -> None:
            super()._fit(v_pos, rng)
            clock.tick(lambda: (self.components_.T, self.intercept_visible_, self.intercept_hidden_))

    pixels = images.numpy().astype(np.float32)
    rbm = Timed(n_components=setting.hidden, learning_rate=setting.rate, batch_size=setting.batch, n_iter=ENDLESS, random_state=seed)
    clock.start()
    rbm.fit(pixels)


def rbms(images: Tensor, setting: Setting, clock: Clock, seed: int) -> None:
    """What `rbms train` does once its data are loaded and its first machine is made, with no checkpoints but the first."""
    from rbms.dataset.dataset_class import RBMDataset
    from rbms.map_model import map_model
    from rbms.parser import match_args_dtype
    from rbms.scripts.train_rbm import create_parser
    from rbms.training.pcd import train
    from rbms.training.utils import get_checkpoints

    def optimizer(parameters: list[Tensor], **options: Any) -> torch.optim.Optimizer:
        made = torch.optim.SGD(parameters, **options)  # its default
        made.register_step_post_hook(lambda *_: clock.tick(lambda: parameters))
        clock.start()
        return made

    cases = len(images)
    binary = images.numpy().astype(np.float32)
    dataset = RBMDataset(binary, -np.ones(cases), np.ones(cases), np.arange(cases), "images", is_binary=True, device="cpu")
    torch.manual_seed(seed)
    with tempfile.TemporaryDirectory() as folder, redirect_stderr(io.StringIO()):  # its progress bar
        command = f"-d images.h5 --train_size 1 --num_hiddens {setting.hidden} --batch_size {setting.batch} --num_chains {setting.chains}"
        command += f" --gibbs_steps {setting.steps} --learning_rate {setting.rate} --num_updates {ENDLESS} --n_save 1 --seed {seed}"
        args = match_args_dtype(vars(create_parser().parse_args([*command.split(), "--device", "cpu", "--filename", f"{folder}/rbm.h5"])))
        checkpoints = get_checkpoints(num_updates=ENDLESS, n_save=args["n_save"], spacing=args["spacing"])
        train(dataset, None, "BBRBM", args, args["dtype"], checkpoints, optim=optimizer, map_model=map_model)


def learnergy(images: Tensor, setting: Setting, clock: Clock, seed: int) -> None:
    """`RBM.fit`, which knows contrastive divergence only."""
    from learnergy.models.bernoulli import RBM
    from torch.utils.data import TensorDataset

    torch.manual_seed(seed)
    dataset = TensorDataset(images.float(), torch.zeros(len(images)))
    model = RBM(images.shape[1], setting.hidden, steps=setting.steps, learning_rate=setting.rate, momentum=setting.momentum)
    model.optimizer.register_step_post_hook(lambda *_: clock.tick(lambda: (model.W, model.a, model.b)))
    clock.start()
    model.fit(dataset, batch_size=setting.batch, epochs=ENDLESS)


def ebmkit(images: Tensor, setting: Setting, clock: Clock, seed: int) -> None:
    """The loop of its example `train_rbm.py`: Adam on the difference of free energies."""
    import ebm

    torch.manual_seed(seed)
    rbm, cases = ebm.nets.RBM(n_visible=images.shape[1], n_hidden=setting.hidden), images.float()
    optimizer = torch.optim.Adam(rbm.parameters(), lr=setting.rate)
    clock.start()
    while True:
        batch = cases[torch.randint(0, len(cases), (setting.batch,))]
        loss = rbm(batch).mean() - rbm(rbm.gibbs_step(batch)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        clock.tick(lambda: (rbm.W.T, rbm.b, rbm.c))


LEARN: dict[str, Callable[[Tensor, Setting, Clock, int], None]] = {
    "harmonium": harmonium,
    "scikit-learn": scikit_learn,
    "rbms": rbms,
    "learnergy": learnergy,
    "ebmkit": ebmkit,
}
"""By the name of their distribution: (images (cases, 784) bool, setting, clock, seed), until the clock raises `Over`."""


def learn(images: Tensor, setting: Setting, marks: Sequence[float], seed: int) -> list[Kept]:
    """The parameters at the marks, after an update elsewhere that loads what is loaded late. ImportError where the library is missing."""
    until_over(images[:1000], setting, Clock([1e-6]), seed)
    clock = Clock(marks)
    until_over(images, setting, clock, seed)
    return clock.kept


def until_over(images: Tensor, setting: Setting, clock: Clock, seed: int) -> None:
    """Learns until the clock says that the time is up."""
    try:
        LEARN[setting.library](images, setting, clock, seed)
    except Over:
        return
    raise RuntimeError(f"{setting.library} ended before its time was up")
