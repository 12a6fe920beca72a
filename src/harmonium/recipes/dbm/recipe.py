"""MNIST by a deep Boltzmann machine of 500 and 1000 hidden units: all layers learnt together, and a bound on its likelihood.

Paper: Salakhutdinov & Hinton (AISTATS 2009): the variational bound of a 784-500-1000 machine is at least -84.62 nats a test image, with
log Z by annealing over 20,000 temperatures. As there, two RBMs are learnt one after the other with doubled input and put together; then
all of it learns by persistent chains against mean field. All phases use the centred gradient, a rate that falls linearly to zero, and
averaged parameters. Test images are binarised once; training images anew at every visit. Beside the bound stands the ablation: the bound
less the likelihood of the same machine with its upper weights zero and its biases refitted. A machine whose second layer adds less than a
nat is an RBM, and is left out of the tables; `--start single`, which begins at one RBM learnt by itself, leads to such machines. Protocol,
and what was tried: docs/recipes/mnist-dbm.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, cast

from matplotlib.figure import Figure
from torch import Tensor

from harmonium.couplings import Dense
from harmonium.data import binarise
from harmonium.learning import TrainingState, greedy_dbm
from harmonium.learning.cases import Rows
from harmonium.likelihood import Evaluation
from harmonium.models import DBM, RBM, Generative
from harmonium.recipes.dbm.ablation import refitted, without_upper
from harmonium.recipes.shared.binary_mnist_bound import BinaryMnistBound, seen_in_pixels
from harmonium.recipes.shared.persistent_plan import Persistent, learnt
from harmonium.runs.folder import Run
from harmonium.runs.likelihood_metrics import log_z_figures, verdict
from harmonium.seeds import derive
from harmonium.units import Bernoulli

LAYERS, JOINT = ("first layer", "second layer"), "all layers"
SOME = 5000  # training images, that the biases without the upper layer are first found by
WORKS = 1.0  # nats that a second layer must add, for tables to show a machine of two


@dataclasses.dataclass(frozen=True)
class MnistDbm(BinaryMnistBound):
    """A deep Boltzmann machine 784-500-1000 on binary MNIST: its variational bound."""

    units: tuple[int, int] = (500, 1000)
    start: Literal["doubled", "single"] = "doubled"
    """What all layers learn from: both RBMs learnt with doubled input, or the first learnt by itself below a fresh second layer."""
    layers: Persistent = Persistent(epochs=20, learning_rate=0.05)
    """How each RBM is learnt before. A single one bears a higher rate, for longer: 0.2, 200 epochs."""
    joint: Persistent = Persistent(epochs=220, learning_rate=0.04, gibbs_steps=2)
    """How all layers learn together."""
    mean_field_sweeps: int = 3
    """Of the positive phase."""
    refit: int = 10
    """Epochs of the biases of the machine without its upper layer."""

    name: ClassVar[str] = "mnist-dbm"
    paper: ClassVar[str] = "Salakhutdinov & Hinton 2009"
    published: ClassVar[dict[str, str]] = {"test_bound_nats": "-84.62"}
    headline_metrics: ClassVar[tuple[str, ...]] = ("test_bound_nats", "ablation_nats")

    @classmethod
    def shown(cls, record: Mapping[str, Any]) -> bool:
        """Only where the second layer works: a machine whose upper layer adds less than `WORKS` nats is an RBM, whatever its bound."""
        found = record["metrics"].get("ablation_nats")
        return found is not None and min(value for value in found["values"] if value is not None) >= WORKS

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(*self.units, self.mean_field_sweeps, self.refit) < 1:
            raise ValueError(
                f"expected at least one unit a layer, one sweep and one epoch, found units={self.units}, "
                f"mean_field_sweeps={self.mean_field_sweeps} and refit={self.refit}"
            )

    @property
    def plans(self) -> tuple[Persistent, Persistent]:
        """How the RBMs are learnt, and then all layers."""
        epochs = (1, 2) if self.smoke else (self.layers.epochs, self.joint.epochs)
        return dataclasses.replace(self.layers, epochs=epochs[0]), dataclasses.replace(self.joint, epochs=epochs[1])

    @property
    def betas(self) -> int:
        """Of annealed importance sampling; a second run takes four times as many."""
        return 50 if self.smoke else 10_000

    @property
    def annealing_sweeps(self) -> int:
        """Of the tempered chains."""
        return 20 if self.smoke else 1000

    def machine(self) -> DBM:
        """As it is before learning."""
        sizes = (784, *self.units)
        couplings = [Dense(sizes[n], sizes[n + 1], seed=derive(self.seed, n)) for n in range(2)]
        return DBM([Bernoulli(size) for size in sizes], couplings)

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: each layer by itself, the bound there, all layers together, the bound again, and what is left without the upper."""
        images, _ = self.cases()
        data, (alone, together) = binarise(images, "resampled"), self.plans
        start = self.begun(run, data, alone)
        before = self.bound(start, betas=self.betas // 5, sweeps=self.annealing_sweeps // 5)
        state = together.fit(run, JOINT, start, data, derive(self.seed, 3), sweeps=self.mean_field_sweeps)
        dbm = cast(DBM, state.averaged())
        found = self.judge(run, dbm, betas=self.betas, chains=100, sweeps=self.annealing_sweeps)
        less = self.ablated(run, dbm, images, data)
        earlier, without = f"{self.split}_bound_nats_before_learning_together", f"{self.split}_nats_without_upper_weights"
        figures = [
            *self.bounds(found),
            ("ablation_nats", found.cautious.nats - max(row.nats for row in less.estimates()), "nats"),
            (without, less.cautious.nats, "nats"),
            (earlier, before.cautious.nats, "nats"),
            ("mean_field_change", state.history[-1]["mean_field_change"], "of a hidden unit's mean"),
            *log_z_figures(found),
            *log_z_figures(less, "without_upper_weights_"),
        ]
        verdicts = {**self.verdicts(found), without: verdict(less), earlier: verdict(before)}
        setting = ("smoke" if self.smoke else "full") + (", from a single RBM" if self.start == "single" else "")
        likelihood = f"{found}\n\nUpper weights zero, biases refitted:\n{less}\n\nBefore all layers learnt together:\n{before}"
        results = self.results(run, setting, figures, verdicts, likelihood=likelihood)
        self.report(run)
        return results

    def begun(self, run: Run, data: Rows, alone: Persistent) -> DBM:
        """The machine that all layers learn from."""

        def train(rbm: RBM, rows: Any, index: int) -> TrainingState:
            state = alone.fit(run, LAYERS[index], rbm, rows, derive(self.seed, 2, index))
            rbm.load_state_dict(state.averaged().state_dict())
            return state

        start = self.machine().to(self.device)
        if self.start == "doubled":
            return greedy_dbm(data, start.layers, couplings=start.couplings, train=train)
        train(RBM(start.layers[0], start.layers[1], start.couplings[0]), data, 0)
        return start

    def ablated(self, run: Run, dbm: DBM, images: Tensor, data: Rows) -> Evaluation:
        """How probable the judged images are without the upper layer."""
        some = binarise(images[:SOME], "fixed", seed=derive(self.seed, 4)).float()
        rbm = refitted(run, without_upper(dbm, some), data, epochs=1 if self.smoke else self.refit, seed=derive(self.seed, 5))
        return self.bound(rbm, betas=self.betas // 2, sweeps=self.annealing_sweeps)

    def learnt(self, run: Run) -> DBM:
        """The machine of a run that has begun to learn all layers together. ValueError before."""
        dbm = self.machine()
        learnt(run, JOINT, dbm)
        return dbm

    def summary(self) -> str:
        return f"A deep Boltzmann machine 784-{self.units[0]}-{self.units[1]}, learnt from MNIST by persistent chains and mean field"

    def features(self, model: Generative) -> list[tuple[Figure, str]]:
        assert isinstance(model, DBM)
        first, second = (link.matrix().cpu() for link in model.couplings)
        return seen_in_pixels(first, second)
