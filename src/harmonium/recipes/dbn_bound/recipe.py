"""MNIST by a deep belief net of 500 and 2000 hidden units: does a second layer raise the likelihood?

Paper: Salakhutdinov & Murray (ICML 2008): the variational bound of a greedily learnt 784-500-2000 net is at least -85.97 nats a test
image, from a first RBM of -86.34. The second machine begins as the first one turned upside down, with 1,216 hidden units more, so
that the bound begins at the first RBM's own log-likelihood (Hinton, Osindero & Teh 2006), and learns from samples of its hidden units.
Test images are binarised once; training images anew at every visit. Settings were chosen on the last 10,000 training cases
(`--held-out 10000`). Ours, times and machine: results/mnist-dbn-bound.json; what was tried: docs/recipes/mnist-dbn-bound.md.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from harmonium.couplings import Dense
from harmonium.data import binarise
from harmonium.learning import features
from harmonium.likelihood import Evaluation
from harmonium.models import DBN, RBM, Generative, swap_layers
from harmonium.recipes.shared.binary_mnist import draw_page, draw_report, draw_samples, grey_images, judged_on
from harmonium.recipes.shared.persistent_plan import Persistent, learnt
from harmonium.recipes.shared.variational_bound import bound, bound_metrics, bound_verdicts, filters_of_layers
from harmonium.report import evaluation
from harmonium.runs.contract import Recipe
from harmonium.runs.folder import EVALUATION, Run
from harmonium.runs.likelihood_metrics import log_z_metrics, verdict
from harmonium.seeds import derive
from harmonium.units import Bernoulli

BOTTOM, TOP = "first layer", "second layer"


@dataclasses.dataclass(frozen=True)
class MnistDbnBound(Recipe):
    """A deep belief net 784-500-2000 on binary MNIST, learnt greedily: its variational bound beside the likelihood of its first RBM."""

    held_out: int = 0
    """Judge on this many held-out training cases, not on the test set: for choosing settings."""
    data_dir: Path | None = None
    """Where the four original files are, if not in $HARMONIUM_DATA or the cache."""
    samples: int = 100
    """Of a hidden layer for each image, in the tightened bound, and in the bound itself where it takes draws."""
    units: tuple[int, int] = (500, 2000)
    bottom: Persistent = Persistent(epochs=200)
    top: Persistent = Persistent(epochs=200, learning_rate=0.04)

    name: ClassVar[str] = "mnist-dbn-bound"
    paper: ClassVar[str] = "Salakhutdinov & Murray 2008"
    published: ClassVar[dict[str, str]] = {
        "test_bound_nats": "-85.97 (learnt from fixed pixels)",
        "bottom_rbm_test_nats_fixed_stochastic": "-86.34 (learnt from fixed pixels)",
        "improvement_nats": "0.37",
    }
    headline_metrics: ClassVar[tuple[str, ...]] = ("test_bound_nats", "bottom_rbm_test_nats_fixed_stochastic", "improvement_nats")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.samples < 1:
            raise ValueError(f"a bound takes at least one sample of the hidden units, found samples={self.samples}")
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
        """Of annealed importance sampling; a second run takes four times as many, and RAISE eighteen times."""
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
        return swap_layers(rbm, extra=self.units[1] - 784, seed=derive(self.seed, 1))

    def cases(self) -> tuple[Tensor, Tensor]:
        """Grey images to learn from, and those to be judged on: (cases, 784) uint8."""
        return grey_images(self.data_dir, held_out=self.held_out, smoke=self.smoke, device=self.device)

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: the first layer, the second from samples of the first, the bound, and the first layer's own likelihood."""
        images, _ = self.cases()
        data, (bottom, top) = binarise(images, "resampled"), self.plans
        rbm = bottom.learn(run, BOTTOM, self.first().to(self.device), data, derive(self.seed, 2))
        upper = top.learn(run, TOP, self.second(rbm), features(data, rbm, sampled=True), derive(self.seed, 3))
        found = judge(self, run, DBN([rbm, upper]), betas=self.betas, chains=100, sweeps=self.sweeps)
        alone = bound_of(self, rbm, betas=self.betas, sweeps=self.sweeps)
        split = judged_on(self.held_out)
        first = f"bottom_rbm_{split}_nats_fixed_stochastic"
        metrics = [
            *bound_metrics(split, found),
            (first, alone.cautious.nats, "nats"),
            ("improvement_nats", found.cautious.nats - alone.cautious.nats, "nats"),
            *log_z_metrics(found, "top_"),
            *log_z_metrics(alone, "bottom_"),
        ]
        verdicts = {**bound_verdicts(split, found), first: verdict(alone)}
        likelihood = f"{found}\n\nThe first RBM alone:\n{alone}"
        results = self.results(run, "smoke" if self.smoke else "full", metrics, verdicts, likelihood=likelihood)
        self.report(run)
        return results

    def learnt(self, run: Run) -> DBN:
        """The layers that a run has begun to learn. ValueError if there is none."""
        rbm = learnt(run, BOTTOM, self.first())
        return DBN([rbm, learnt(run, TOP, self.second(rbm))] if run.checkpoint(TOP).exists() else [rbm])

    def likelihood(self, run: Run, *, betas: int, chains: int, sweeps: int) -> Evaluation:
        """How probable the net makes the judged images, drawn into evaluation.png.

        Parameters
        ----------
        run
            The run whose layers are judged.
        betas, chains, sweeps
            As for `bound_of`.
        """
        return judge(self, run, self.learnt(run).to(self.device), betas=betas, chains=chains, sweeps=sweeps)

    def sample(self, run: Run, *, steps: int, seed: int) -> Path:
        return draw_samples(run, self.learnt(run), steps=steps, seed=seed)

    def page(self, run: Run, path: Path) -> Path:
        return draw_page(
            self.learnt(run), path, data_dir=self.data_dir, held_out=self.held_out, title="A deep belief net of handwritten digits"
        )

    def report(self, run: Run) -> None:
        net = self.learnt(run)
        second = net.top.coupling.matrix().cpu() if len(net.rbms) > 1 else None
        draw_report(
            run,
            net,
            f"A deep belief net 784-{self.units[0]}-{self.units[1]}, learnt greedily from MNIST by persistent CD",
            features=filters_of_layers(net.rbms[0].coupling.matrix().cpu(), second),
            smoke=self.smoke,
        )


def bound_of(options: MnistDbnBound, model: Generative, *, betas: int, sweeps: int, chains: int = 100) -> Evaluation:
    """The bound on the judged images; of a model of one layer its own likelihood.

    Parameters
    ----------
    options
        The run's: which images, and how many samples of the hidden units.
    model
        The net, or its first machine alone.
    betas, chains
        Temperatures and chains of annealed importance sampling.
    sweeps
        Of the tempered chains, from which reverse annealing starts.
    """
    samples = 5 if options.smoke else options.samples
    return bound(model, options.cases()[1], samples=samples, betas=betas, sweeps=sweeps, chains=chains, seed=options.seed)


def judge(options: MnistDbnBound, run: Run, model: DBN, *, betas: int, chains: int, sweeps: int) -> Evaluation:
    """The bound, drawn into evaluation.png.

    Parameters
    ----------
    options, model, betas, chains, sweeps
        As for `bound_of`.
    run
        The run, in whose folder the picture is drawn.
    """
    found = bound_of(options, model, betas=betas, chains=chains, sweeps=sweeps)
    title = f"{options.name}, on {judged_on(options.held_out)} images binarised once"
    evaluation(found, title=title).savefig(run.folder / EVALUATION, dpi=110)
    return found
