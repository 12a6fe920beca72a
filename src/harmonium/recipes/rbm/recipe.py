"""MNIST by one RBM of 500 hidden units: how many nats can a single layer reach?

Papers: Salakhutdinov & Murray (ICML 2008) reach -86.34 nats a test image by CD-25; the best machines of this size that were ever released
(Grosse & Salakhutdinov, ICML 2015) measure -84.4 to -84.6 with long annealing. A number means nothing without the binarisation: test
images are binarised once (`fixed stochastic`), or at half of full ink (`threshold`); training images likewise, as in the paper of 2008, or
anew at every visit (`resampled`, the default). Learning is by persistent CD with the centred gradient, a rate that falls linearly to zero,
and averaged parameters. Settings were chosen on the last 10,000 training cases (`--held-out 10000`). Ours, times and machine:
results/mnist-rbm.json; what was tried: docs/recipes/mnist-rbm.md.
"""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

from torch import Tensor

from harmonium.couplings import Dense
from harmonium.data import binarise
from harmonium.likelihood import Evaluation, ais, evaluate, log_likelihood
from harmonium.models import RBM, load
from harmonium.recipes.shared.binary_mnist import draw_page, draw_report, draw_samples, grey_images, judged_on
from harmonium.recipes.shared.persistent_plan import Persistent, learnt, snapshot
from harmonium.report import Section, against_time, evaluation, filters
from harmonium.runs.contract import Metric, Recipe
from harmonium.runs.folder import EVALUATION, Run
from harmonium.runs.likelihood_metrics import RAISE_CASES, log_z_metrics, verdict
from harmonium.seeds import derive
from harmonium.units import Bernoulli

PHASE = "persistent CD"
LEVELS = {"CD-25 (Salakhutdinov & Murray 2008)": -86.34, "best released (Grosse & Salakhutdinov 2015)": -84.4}  # nats, fixed stochastic


@dataclasses.dataclass(frozen=True)
class MnistRbm(Recipe):
    """An RBM of 500 hidden units on binary MNIST, for likelihood."""

    held_out: int = 0
    """Judge on this many held-out training cases, not on the test set: for choosing settings."""
    data_dir: Path | None = None
    """Where the four original files are, if not in $HARMONIUM_DATA or the cache."""
    hidden: int = 500
    binarisation: Literal["resampled", "fixed", "threshold"] = "resampled"
    """Of the training images. The test images are thresholded likewise, or else binarised once."""
    learning: Persistent = Persistent(epochs=270)
    """Half an hour on one core."""
    quick: bool = False
    """Within 90 seconds on two cores: 22 epochs."""
    long: bool = False
    """Within 3 hours on two cores: 2900 epochs."""

    name: ClassVar[str] = "mnist-rbm"
    choices: ClassVar[tuple[str, ...]] = ("quick", "long", "binarisation")
    paper: ClassVar[str] = "Salakhutdinov & Murray 2008"
    published: ClassVar[dict[str, str]] = {"test_nats_fixed_stochastic": "-86.34 (learnt from fixed pixels)"}
    headline_metrics: ClassVar[tuple[str, ...]] = ("test_nats_fixed_stochastic", "test_nats_threshold")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.quick and self.long:
            raise ValueError("a run is --quick or --long, not both")

    @property
    def plan(self) -> Persistent:
        """How it learns, with the number of epochs that the setting comes to."""
        epochs = 2 if self.smoke else 22 if self.quick else 2900 if self.long else self.learning.epochs
        return dataclasses.replace(self.learning, epochs=epochs)

    @property
    def setting(self) -> str:
        setting = "smoke" if self.smoke else "quick" if self.quick else "long" if self.long else "full"
        return f"{setting}, learnt from {self.binarisation} pixels"

    @property
    def betas(self) -> int:
        """Of annealed importance sampling; a second run takes four times as many."""
        return 100 if self.smoke else 5000 if self.quick else 20_000

    @property
    def metric(self) -> str:
        """What the nats are of, as metrics name it."""
        pixels = "threshold" if self.binarisation == "threshold" else "fixed_stochastic"
        return f"{judged_on(self.held_out)}_nats_{pixels}"

    def pixels(self, images: Tensor, seed: int) -> Tensor:
        """Images as they are judged: binary, drawn once, or thresholded."""
        return binarise(images, "threshold" if self.binarisation == "threshold" else "fixed", seed=seed)

    def cases(self) -> tuple[Tensor, Tensor]:
        """Grey images to learn from, and those to be judged on: (cases, 784) uint8."""
        return grey_images(self.data_dir, held_out=self.held_out, smoke=self.smoke, device=self.device)

    def machine(self) -> RBM:
        """As it is before learning."""
        return RBM(Bernoulli(784), Bernoulli(self.hidden), Dense(784, self.hidden, seed=derive(self.seed, 0)))

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: learn, anneal, draw."""
        images, judged = self.cases()
        rows = binarise(images, self.binarisation, seed=derive(self.seed, 1))
        rbm = self.plan.learn(run, PHASE, self.machine().to(self.device), rows, self.seed)
        found = judge(self, run, rbm, betas=self.betas, chains=100, sweeps=100 if self.smoke else 1000)
        metrics: list[Metric] = [(self.metric, found.cautious.nats, "nats"), *log_z_metrics(found)]
        if found.gap is not None:
            metrics.append(("free_energy_gap", found.gap[0], "nats"))
        curve = nats_by_epoch(self, run, self.pixels(judged, 30))
        results = self.results(run, self.setting, metrics, {self.metric: verdict(found)}, likelihood=str(found), curve=curve)
        self.report(run)
        return results

    def learnt(self, run: Run) -> RBM:
        """The machine as far as a run has learnt it. ValueError before the first checkpoint."""
        return learnt(run, PHASE, self.machine())

    def likelihood(self, run: Run, *, betas: int, chains: int, sweeps: int) -> Evaluation:
        """How probable the machine makes the judged images, drawn into evaluation.png."""
        return judge(self, run, self.learnt(run).to(self.device), betas=betas, chains=chains, sweeps=sweeps)

    def sample(self, run: Run, *, steps: int, seed: int) -> Path:
        return draw_samples(run, self.learnt(run), steps=steps, seed=seed)

    def page(self, run: Run, path: Path) -> Path:
        return draw_page(self.learnt(run), path, data_dir=self.data_dir, held_out=self.held_out, title="An RBM of handwritten digits")

    def report(self, run: Run) -> None:
        rbm = self.learnt(run)
        draw_report(
            run,
            rbm,
            f"An RBM of {self.hidden} hidden units, learnt by persistent CD from MNIST ({self.binarisation} pixels)",
            features=[(filters(rbm.coupling.matrix().cpu(), (28, 28), count=100), "the hidden units with the largest weights")],
            finished=[nats_against_seconds(self, run.results()["curve"])] if run.finished else (),
            smoke=self.smoke,
        )


def judge(options: MnistRbm, run: Run, rbm: RBM, *, betas: int, chains: int, sweeps: int) -> Evaluation:
    """The machine's nats, drawn into evaluation.png."""
    images, judged = options.cases()
    found = evaluate(
        rbm,
        options.pixels(judged, 30),
        training=options.pixels(images[: len(judged)], 31),
        betas=betas,
        chains=chains,
        sweeps=sweeps,
        raise_cases=RAISE_CASES,
        seed=options.seed,
        progress=True,
    )
    evaluation(found, title=f"{options.name}: {options.metric.replace('_', ' ')}").savefig(run.folder / EVALUATION, dpi=110)
    return found


def nats_by_epoch(options: MnistRbm, run: Run, test: Tensor) -> list[dict[str, float]]:
    """Nats after some of the epochs, by short annealing, beside the seconds that training had taken. `test`: (cases, 784), binary."""
    seconds = {int(row["epoch"]): row["seconds"] for row in run.histories()[PHASE]}
    rows = []
    for epoch in sorted(seconds):
        path = snapshot(run, PHASE, epoch)
        if not path.exists():
            continue
        rbm = cast(RBM, load(path)).to(options.device)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*effective sample size")  # early machines mix badly; it is kept beside the nats
            log_z = ais(rbm, betas=max(options.betas // 5, 20), base_rates=test.float().mean(0), seed=options.seed)
        nats = log_likelihood(rbm, test, log_z=log_z.log_z).mean().item()
        rows.append({"epoch": float(epoch), "seconds": seconds[epoch], "nats": nats, "ess": log_z.ess})
    return rows


def nats_against_seconds(options: MnistRbm, curve: list[dict[str, float]]) -> Section:
    """That, drawn beside what others reached."""
    line = {options.name: [(row["seconds"], row["nats"]) for row in curve]}
    levels = LEVELS if options.binarisation != "threshold" else {}
    return Section("Nats against seconds", "", [(against_time(line, levels), options.metric.replace("_", " "))])
