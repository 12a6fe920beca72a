"""MNIST by a deep Boltzmann machine of 500 and 1000 hidden units: all layers learnt together, and a bound on its likelihood.

Paper: Salakhutdinov & Hinton (AISTATS 2009): the variational bound of a 784-500-1000 machine is at least -84.62 nats a test image, with
log Z by annealing over 20,000 temperatures. As there, two RBMs are learnt one after the other with doubled input and put together; then
all of it learns by persistent chains, a few of which begin anew at each update, against mean field. All phases use the centred gradient, a
rate that falls linearly to zero, and averaged parameters. Test images are binarised once; training images anew at every visit. Beside the
bound stands the ablation: the bound less the likelihood of the same machine with its upper weights zero and its biases refitted. A machine
whose second layer adds less than a nat is an RBM, and is left out of the tables; `--start single`, which begins at one RBM learnt by
itself, leads to such machines. Protocol, and what was tried: docs/recipes/mnist-dbm.md.

The same paper has 0.95 % of the test digits wrong by a net that begins at the machine and sees q(h2 | v) beside the image; with dropout
0.79 % (Hinton et al. 2012). Both nets are fine-tuned here, by SGD where the paper has conjugate gradients.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

from torch import Tensor

from harmonium.couplings import Dense
from harmonium.data import binarise
from harmonium.learning import Gibbs, TrainingState, greedy_dbm
from harmonium.learning.cases import Rows
from harmonium.likelihood import Evaluation
from harmonium.models import DBM, RBM, Generative
from harmonium.recipes.dbm.ablation import refitted, without_upper
from harmonium.recipes.dbm.classification import METRICS, errors
from harmonium.recipes.register import REGISTRY
from harmonium.recipes.shared.binary_mnist import draw_page, draw_report, draw_samples, grey_images, judged_on
from harmonium.recipes.shared.persistent_plan import Persistent, learnt
from harmonium.recipes.shared.stack import Tuning
from harmonium.recipes.shared.variational_bound import bound, bound_metrics, bound_verdicts, filters_of_layers
from harmonium.report import evaluation
from harmonium.runs.contract import Metric, Recipe
from harmonium.runs.folder import EVALUATION, Run
from harmonium.runs.likelihood_metrics import log_z_metrics, verdict
from harmonium.runs.options import EARLIER
from harmonium.seeds import derive
from harmonium.units import Bernoulli

LAYERS, JOINT = ("first layer", "second layer"), "all layers"
SOME = 5000  # training images, that the biases without the upper layer are first found by


@dataclasses.dataclass(frozen=True)
class MnistDbm(Recipe):
    """A deep Boltzmann machine 784-500-1000 on binary MNIST: its variational bound."""

    held_out: int = 0
    """Judge on this many held-out training cases, not on the test set: for choosing settings."""
    data_dir: Path | None = None
    """Where the four original files are, if not in $HARMONIUM_DATA or the cache."""
    bound_alone: bool = dataclasses.field(default=False, metadata={EARLIER: False})
    """The bound and the ablation, without the nets for classification."""
    samples: int = 100
    """Of a hidden layer for each image, in the tightened bound, and in the bound itself where it takes draws."""
    units: tuple[int, int] = (500, 1000)
    start: Literal["doubled", "single"] = "doubled"
    """What all layers learn from: both RBMs learnt with doubled input, or the first learnt by itself below a fresh second layer."""
    layers: Persistent = Persistent(epochs=20, learning_rate=0.05)
    """How each RBM is learnt before. A single one bears a higher rate, for longer: 0.2, 200 epochs."""
    joint: Persistent = Persistent(epochs=220, learning_rate=0.04, gibbs_steps=2)
    """How all layers learn together."""
    mean_field_sweeps: int = 3
    """Of the positive phase."""
    restarts: float = 0.003
    """The probability that a chain begins anew at an update, so that a mode which none of them knows is found and unlearnt."""
    refit: int = 10
    """Epochs of the biases of the machine without its upper layer."""
    tuning: Tuning = Tuning(epochs=20, learning_rate=0.1, momentum=0.9, decay=0.93)
    dropout: Tuning = Tuning(epochs=300, learning_rate=0.3, momentum=0.9, decay=0.988, dropout=0.5, input_dropout=0.2)

    name: ClassVar[str] = "mnist-dbm"
    choices: ClassVar[tuple[str, ...]] = ("bound_alone",)
    paper: ClassVar[str] = "Salakhutdinov & Hinton 2009"
    published: ClassVar[dict[str, str]] = {
        "test_bound_nats": "-84.62",
        "test_error_percent": "0.95",
        "test_dropout_error_percent": "0.79",
    }
    headline_metrics: ClassVar[tuple[str, ...]] = ("test_bound_nats", "ablation_nats", "test_error_percent", "test_dropout_error_percent")

    @classmethod
    def shown(cls, record: Mapping[str, Any]) -> bool:
        """Only where the second layer works: a machine whose upper layer adds less than a nat is an RBM, whatever its bound."""
        return next(entry for entry in REGISTRY if entry.name == cls.name).shows(record["metrics"])

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.samples < 1:
            raise ValueError(f"a bound takes at least one sample of the hidden units, found samples={self.samples}")
        if min(*self.units, self.mean_field_sweeps, self.refit) < 1:
            raise ValueError(
                f"expected at least one unit a layer, one sweep and one epoch, found units={self.units}, "
                f"mean_field_sweeps={self.mean_field_sweeps} and refit={self.refit}"
            )
        Gibbs(self.restarts)  # which refuses what is no probability, before anything is learnt

    @property
    def plans(self) -> tuple[Persistent, Persistent]:
        """How the RBMs are learnt, and then all layers."""
        epochs = (1, 2) if self.smoke else (self.layers.epochs, self.joint.epochs)
        return dataclasses.replace(self.layers, epochs=epochs[0]), dataclasses.replace(self.joint, epochs=epochs[1])

    @property
    def betas(self) -> int:
        """Of annealed importance sampling; a second run takes four times as many, and RAISE eighteen times."""
        return 60 if self.smoke else 20_000

    @property
    def annealing_sweeps(self) -> int:
        """Of the tempered chains."""
        return 20 if self.smoke else 1000

    def machine(self) -> DBM:
        """As it is before learning."""
        sizes = (784, *self.units)
        couplings = [Dense(sizes[n], sizes[n + 1], seed=derive(self.seed, n)) for n in range(2)]
        return DBM([Bernoulli(size) for size in sizes], couplings)

    def cases(self) -> tuple[Tensor, Tensor]:
        """Grey images to learn from, and those to be judged on: (cases, 784) uint8."""
        return grey_images(self.data_dir, held_out=self.held_out, smoke=self.smoke, device=self.device)

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: each layer by itself, the bound there, all layers together, the bound again, and what is left without the upper."""
        images, _ = self.cases()
        data, (alone, together) = binarise(images, "resampled"), self.plans
        start = learn_layers(self, run, data, alone)
        before = bound_of(self, start, betas=self.betas // 15, sweeps=self.annealing_sweeps // 5)
        state = together.fit(run, JOINT, start, data, derive(self.seed, 3), sweeps=self.mean_field_sweeps, restarts=self.restarts)
        dbm = cast(DBM, state.averaged())
        found = judge(self, run, dbm, betas=self.betas, chains=100, sweeps=self.annealing_sweeps)
        less = ablated(self, run, dbm, images, data)
        split = judged_on(self.held_out)
        wrong = [] if self.bound_alone else self.errors(run, dbm)
        earlier, without = f"{split}_bound_nats_before_learning_together", f"{split}_nats_without_upper_weights"
        metrics = [
            *bound_metrics(split, found),
            *wrong,
            ("ablation_nats", found.cautious.nats - max(row.nats for row in less.estimates()), "nats"),
            (without, less.cautious.nats, "nats"),
            (earlier, before.cautious.nats, "nats"),
            ("mean_field_change", state.history[-1]["mean_field_change"], "of a hidden unit's mean"),
            *log_z_metrics(found),
            *log_z_metrics(less, "without_upper_weights_"),
        ]
        verdicts = {**bound_verdicts(split, found), without: verdict(less), earlier: verdict(before)}
        setting = ("smoke" if self.smoke else "full") + (", from a single RBM" if self.start == "single" else "")
        setting += ", the bound alone" if self.bound_alone else ""
        likelihood = f"{found}\n\nUpper weights zero, biases refitted:\n{less}\n\nBefore all layers learnt together:\n{before}"
        results = self.results(run, setting, metrics, verdicts, likelihood=likelihood)
        self.report(run)
        return results

    def errors(self, run: Run, dbm: DBM) -> list[Metric]:
        """How many of the judged images the machine's net gets wrong, fine-tuned without and with dropout."""
        tunings = dict(zip(METRICS, (self.tuning, self.dropout), strict=True))
        if self.smoke:
            tunings = {phase: dataclasses.replace(tuning, epochs=3) for phase, tuning in tunings.items()}
        seed = derive(self.seed, 6)
        return errors(run, dbm, tunings, data_dir=self.data_dir, held_out=self.held_out, smoke=self.smoke, seed=seed)

    def learnt(self, run: Run) -> DBM:
        """The machine of a run that has begun to learn all layers together. ValueError before."""
        return learnt(run, JOINT, self.machine())

    def likelihood(self, run: Run, *, betas: int, chains: int, sweeps: int) -> Evaluation:
        """How probable the machine makes the judged images, drawn into evaluation.png."""
        return judge(self, run, self.learnt(run).to(self.device), betas=betas, chains=chains, sweeps=sweeps)

    def sample(self, run: Run, *, steps: int, seed: int) -> Path:
        return draw_samples(run, self.learnt(run), steps=steps, seed=seed)

    def page(self, run: Run, path: Path) -> Path:
        return draw_page(
            self.learnt(run), path, data_dir=self.data_dir, held_out=self.held_out, title="A deep Boltzmann machine of handwritten digits"
        )

    def report(self, run: Run) -> None:
        dbm = self.learnt(run)
        first, second = (link.matrix().cpu() for link in dbm.couplings)
        draw_report(
            run,
            dbm,
            f"A deep Boltzmann machine 784-{self.units[0]}-{self.units[1]}, learnt from MNIST by persistent chains and mean field",
            features=filters_of_layers(first, second),
            smoke=self.smoke,
        )


def learn_layers(options: MnistDbm, run: Run, data: Rows, plan: Persistent) -> DBM:
    """The machine that all layers learn from: its RBMs learnt one after the other, or the first of them alone."""

    def train(rbm: RBM, rows: Any, index: int) -> TrainingState:
        state = plan.fit(run, LAYERS[index], rbm, rows, derive(options.seed, 2, index))
        rbm.load_state_dict(state.averaged().state_dict())
        return state

    start = options.machine().to(options.device)
    if options.start == "doubled":
        return greedy_dbm(data, start.layers, couplings=start.couplings, train=train)
    train(RBM(start.layers[0], start.layers[1], start.couplings[0]), data, 0)
    return start


def ablated(options: MnistDbm, run: Run, dbm: DBM, images: Tensor, data: Rows) -> Evaluation:
    """How probable the judged images are without the upper layer.

    Parameters
    ----------
    options, run
        The recipe, and the folder of its run.
    dbm
        The machine.
    images, data
        What it learnt from: grey levels, and the same binarised anew at every visit.
    """
    some = binarise(images[:SOME], "fixed", seed=derive(options.seed, 4)).float()
    epochs = 1 if options.smoke else options.refit
    rbm = refitted(run, without_upper(dbm, some), data, epochs=epochs, seed=derive(options.seed, 5))
    return bound_of(options, rbm, betas=options.betas // 6, sweeps=options.annealing_sweeps)


def bound_of(options: MnistDbm, model: Generative, *, betas: int, sweeps: int, chains: int = 100) -> Evaluation:
    """The bound on the judged images; of a model of one layer its own likelihood.

    Parameters
    ----------
    options
        The recipe.
    model
        What is judged.
    betas, sweeps, chains
        As for `hm.likelihood.evaluate`.
    """
    samples = 5 if options.smoke else options.samples
    return bound(model, options.cases()[1], samples=samples, betas=betas, sweeps=sweeps, chains=chains, seed=options.seed)


def judge(options: MnistDbm, run: Run, model: DBM, *, betas: int, chains: int, sweeps: int) -> Evaluation:
    """The bound, drawn into evaluation.png.

    Parameters
    ----------
    options, run
        The recipe, and the folder of its run.
    model
        The machine.
    betas, chains, sweeps
        As for `hm.likelihood.evaluate`.
    """
    found = bound_of(options, model, betas=betas, chains=chains, sweeps=sweeps)
    title = f"{options.name}, on {judged_on(options.held_out)} images binarised once"
    evaluation(found, title=title).savefig(run.folder / EVALUATION, dpi=110)
    return found
