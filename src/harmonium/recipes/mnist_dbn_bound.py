"""MNIST by a deep belief net of 500 and 2000 hidden units: does a second layer raise the likelihood?

Paper: Salakhutdinov & Murray (ICML 2008): the variational bound of a greedily learnt 784-500-2000 net is at least -85.97 nats a test
image, from a first RBM of -86.34. The second machine begins as the first one turned upside down, with 1,216 hidden units more, so
that the bound begins at the first RBM's own log-likelihood (Hinton, Osindero & Teh 2006), and learns from samples of its hidden units.
Test images are binarised once; training images anew at every visit. Settings were chosen on the last 10,000 training cases
(`--held-out 10000`). Ours, times and machine: results/mnist-dbn-bound.json; what was tried: docs/recipes/mnist-dbn-bound.md.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from matplotlib.figure import Figure

from harmonium.couplings import Dense
from harmonium.data import binarise
from harmonium.learning import features
from harmonium.learning.batches import derive
from harmonium.likelihood import Evaluation, evaluate
from harmonium.models import DBN, RBM, turned
from harmonium.recipes.binary_mnist import BinaryMnist
from harmonium.recipes.persistent import Persistent, learnt
from harmonium.recipes.run import EVALUATION, Run
from harmonium.report import evaluation, filters
from harmonium.units import Bernoulli

BOTTOM, TOP = "first layer", "second layer"


@dataclasses.dataclass(frozen=True)
class MnistDbnBound(BinaryMnist):
    """A deep belief net 784-500-2000 on binary MNIST, learnt greedily: its variational bound beside the likelihood of its first RBM."""

    units: tuple[int, int] = (500, 2000)
    bottom: Persistent = Persistent(epochs=100)
    top: Persistent = Persistent(epochs=25, learning_rate=0.1)
    samples: int = 100
    """Of the first hidden layer for each image, in the bound."""

    name: ClassVar[str] = "mnist-dbn-bound"
    paper: ClassVar[str] = "Salakhutdinov & Murray 2008"
    published: ClassVar[dict[str, str]] = {"test_bound_nats": "-85.97", "bottom_rbm_test_nats_fixed_stochastic": "-86.34"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.units[0] < 1 or self.units[1] < 784:
            raise ValueError(f"the second layer has at least the 784 units of the first one's visible layer, found units {self.units}")

    @property
    def plans(self) -> tuple[Persistent, Persistent]:
        """How the two layers learn."""
        if not self.smoke:
            return self.bottom, self.top
        return dataclasses.replace(self.bottom, epochs=1), dataclasses.replace(self.top, epochs=1)

    @property
    def betas(self) -> int:
        """Of annealed importance sampling; a second run takes four times as many."""
        return 50 if self.smoke else 5000

    @property
    def sweeps(self) -> int:
        """Of the tempered chains."""
        return 20 if self.smoke else 1000

    def first(self) -> RBM:
        """The first machine, before learning."""
        return RBM(Bernoulli(784), Bernoulli(self.units[0]), Dense(784, self.units[0], seed=derive(self.seed, 0)))

    def second(self, rbm: RBM) -> RBM:
        """The second machine, before learning: the first turned upside down, with small random weights of the units that it has more."""
        return turned(rbm, extra=self.units[1] - 784, seed=derive(self.seed, 1))

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: the first layer, the second from samples of the first, the bound, and the first layer's own likelihood."""
        images, judged = self.cases()
        data, (bottom, top) = binarise(images, "resampled"), self.plans
        rbm = bottom.learn(run, BOTTOM, self.first(), data, derive(self.seed, 2))
        upper = top.learn(run, TOP, self.second(rbm), features(data, rbm, sampled=True), derive(self.seed, 3))
        found = self.judge(run, DBN([rbm, upper]), betas=self.betas, chains=100, sweeps=self.sweeps)
        test = binarise(judged, "fixed", seed=30)
        alone = evaluate(rbm, test, betas=self.betas, sweeps=self.sweeps, seed=self.seed, progress=True)
        assert found.tightened is not None
        figures = [
            (f"{self.split}_bound_nats", found.nats, "nats"),
            (f"{self.split}_tightened_bound_nats", found.tightened[0], "nats"),
            (f"bottom_rbm_{self.split}_nats_fixed_stochastic", alone.nats, "nats"),
            ("improvement_nats", found.nats - alone.nats, "nats"),
        ]
        for name, each in (("top", found), ("bottom", alone)):
            figures.append((f"{name}_log_z", each.log_z, "nats"))
            if each.long is not None and each.short is not None:
                figures.append((f"{name}_log_z_of_a_quarter_of_the_betas", each.short.log_z, "nats"))
                figures.append((f"{name}_effective_sample_size", each.long.ess, "chains"))
        results = self.results(run, "smoke" if self.smoke else "full", figures, likelihood=f"{found}\n\nThe first RBM alone:\n{alone}")
        self.report(run)
        return results

    def judge(self, run: Run, dbn: DBN, *, betas: int, chains: int, sweeps: int) -> Evaluation:
        """The bound, drawn into evaluation.png."""
        test, samples = binarise(self.cases()[1], "fixed", seed=30), 5 if self.smoke else self.samples
        found = evaluate(dbn, test, betas=betas, chains=chains, sweeps=sweeps, samples=samples, seed=self.seed, progress=True)
        evaluation(found, title=f"{self.name}, on {self.split} images binarised once").savefig(run.folder / EVALUATION, dpi=110)
        return found

    def learnt(self, run: Run) -> DBN:
        """The layers that a run has begun to learn. ValueError if there is none."""
        rbm = learnt(run, BOTTOM, self.first())
        return DBN([rbm, learnt(run, TOP, self.second(rbm))] if run.checkpoint(TOP).exists() else [rbm])

    def summary(self) -> str:
        return f"A deep belief net 784-{self.units[0]}-{self.units[1]}, learnt greedily from MNIST by persistent CD"

    def features(self, model: RBM | DBN) -> list[tuple[Figure, str]]:
        assert isinstance(model, DBN)
        first = model.rbms[0].coupling.matrix().cpu()
        seen = [(filters(first, (28, 28), count=60), "the first layer's units with the largest weights")]
        if len(model.rbms) > 1:
            through = first @ model.top.coupling.matrix().cpu()
            seen.append((filters(through, (28, 28), count=60), "the second layer's, seen in the pixels through the first's weights"))
        return seen
