"""MNIST by a deep Boltzmann machine of 500 and 1000 hidden units: all layers learnt together, and a bound on its likelihood.

Paper: Salakhutdinov & Hinton (AISTATS 2009): the variational bound of a 784-500-1000 machine is at least -84.62 nats a test image, with
log Z by annealing over 20,000 temperatures. There two RBMs are learnt one after the other with doubled input and put together; then all
of it learns by persistent chains against mean field. Here the first RBM learns by itself, not doubled, so that the whole begins as tight
as an RBM, and the second layer grows from small random weights as all layers learn together; `--start doubled` is the paper's way. All
phases use the centred gradient, a rate that falls linearly to zero, and averaged parameters. Test images are binarised once; training
images anew at every visit. Settings were chosen on the last 10,000 training cases (`--held-out 10000`). Protocol, and what was tried:
docs/recipes/mnist-dbm.md.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Literal

from matplotlib.figure import Figure
from torch import Tensor

from harmonium.couplings import Dense
from harmonium.data import binarise
from harmonium.learning import TrainingState, greedy_dbm
from harmonium.learning.batches import derive
from harmonium.likelihood import Evaluation, evaluate
from harmonium.models import DBM, DBN, RBM
from harmonium.recipes.binary_mnist import BinaryMnist
from harmonium.recipes.persistent import Persistent, learnt
from harmonium.recipes.run import EVALUATION, Run
from harmonium.report import evaluation, filters
from harmonium.units import Bernoulli

LAYERS, JOINT = ("first layer", "second layer"), "all layers"


@dataclasses.dataclass(frozen=True)
class MnistDbm(BinaryMnist):
    """A deep Boltzmann machine 784-500-1000 on binary MNIST: its variational bound."""

    units: tuple[int, int] = (500, 1000)
    start: Literal["single", "doubled"] = "single"
    """What all layers learn from: the first RBM learnt by itself below a fresh second layer, or both RBMs learnt with doubled input."""
    layers: Persistent = Persistent(epochs=200)
    """How each RBM is learnt before. Doubled ones want a lower rate: 0.05."""
    joint: Persistent = Persistent(epochs=320, learning_rate=0.1)
    """How all layers learn together: about an hour and a half with what goes before."""
    mean_field_sweeps: int = 3
    """Of the positive phase."""
    samples: int = 100
    """Of the second hidden layer for each image, in the tightened bound."""

    name: ClassVar[str] = "mnist-dbm"
    paper: ClassVar[str] = "Salakhutdinov & Hinton 2009"
    published: ClassVar[dict[str, str]] = {"test_bound_nats": "-84.62"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.units) < 1 or self.mean_field_sweeps < 1 or self.samples < 1:
            raise ValueError(
                f"expected at least one unit a layer, one sweep and one sample, found units={self.units}, "
                f"mean_field_sweeps={self.mean_field_sweeps} and samples={self.samples}"
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
        """The steps: each layer by itself, the bound there, all layers together, the bound again."""
        images, judged = self.cases()
        data, (alone, together) = binarise(images, "resampled"), self.plans

        def train(rbm: RBM, rows: Any, index: int) -> TrainingState:
            state = alone.fit(run, LAYERS[index], rbm, rows, derive(self.seed, 2, index))
            rbm.load_state_dict(state.averaged().state_dict())
            return state

        start = self.machine()
        if self.start == "doubled":
            start = greedy_dbm(data, start.layers, couplings=start.coupling.links(), train=train)
        else:
            train(RBM(start.layers[0], start.layers[1], start.coupling.links()[0]), data, 0)
        test = binarise(judged, "fixed", seed=30)
        before = self.bound(start, test, self.betas // 5, self.annealing_sweeps // 5)
        state = together.fit(run, JOINT, start, data, derive(self.seed, 3), sweeps=self.mean_field_sweeps)
        dbm = state.averaged()
        assert isinstance(dbm, DBM)
        found = self.judge(run, dbm, betas=self.betas, chains=100, sweeps=self.annealing_sweeps)
        assert found.tightened is not None
        figures = [
            (f"{self.split}_bound_nats", found.nats, "nats"),
            (f"{self.split}_tightened_bound_nats", found.tightened[0], "nats"),
            (f"{self.split}_bound_nats_before_learning_together", before.nats, "nats"),
            ("mean_field_change", state.history[-1]["mean_field_change"], "of a hidden unit's mean"),
            ("log_z", found.log_z, "nats"),
        ]
        if found.long is not None and found.short is not None:
            figures.append(("log_z_of_a_quarter_of_the_betas", found.short.log_z, "nats"))
            figures.append(("effective_sample_size", found.long.ess, "chains"))
        likelihood = f"{found}\n\nBefore all layers learnt together:\n{before}"
        setting = ("smoke" if self.smoke else "full") + (", doubled" if self.start == "doubled" else "")
        results = self.results(run, setting, figures, likelihood=likelihood)
        self.report(run)
        return results

    def bound(self, dbm: DBM, test: Tensor, betas: int, sweeps: int, chains: int = 100) -> Evaluation:
        samples = 5 if self.smoke else self.samples
        return evaluate(dbm, test, betas=betas, chains=chains, sweeps=sweeps, samples=samples, seed=self.seed, progress=True)

    def judge(self, run: Run, dbm: DBM, *, betas: int, chains: int, sweeps: int) -> Evaluation:
        """The bound, drawn into evaluation.png."""
        found = self.bound(dbm, binarise(self.cases()[1], "fixed", seed=30), betas, sweeps, chains)
        evaluation(found, title=f"{self.name}, on {self.split} images binarised once").savefig(run.folder / EVALUATION, dpi=110)
        return found

    def learnt(self, run: Run) -> DBM:
        """The machine of a run that has begun to learn all layers together. ValueError before."""
        dbm = self.machine()
        learnt(run, JOINT, dbm)
        return dbm

    def summary(self) -> str:
        return f"A deep Boltzmann machine 784-{self.units[0]}-{self.units[1]}, learnt from MNIST by persistent chains and mean field"

    def features(self, model: RBM | DBN) -> list[tuple[Figure, str]]:
        assert isinstance(model, DBM)
        first, second = (link.matrix().cpu() for link in model.coupling.links())
        return [
            (filters(first, (28, 28), count=60), "the first layer's units with the largest weights"),
            (filters(first @ second, (28, 28), count=60), "the second layer's, seen in the pixels through the first's weights"),
        ]
