"""MNIST by RBMs small enough for exact log Z: which learning rule reaches how many nats, and what does centring change?

Two parts. `rules`: 20 hidden units, learnt by CD-1, CD-3, CD-25, persistent CD with and without fast weights and tempered CD, at equal
numbers of updates and at equal seconds; test images binarised once, training images anew at every visit. Beside them Burda, Grosse &
Salakhutdinov (AISTATS 2015), exact: CD-1 -164.50, PCD -150.11. `centring`: 16 hidden units, images thresholded at half of full ink,
by PCD-1 with the plain, the centred and the enhanced gradient, on the images and on their negatives, by the protocol of Melchior, Fischer
& Wiskott (JMLR 2016) and their PyDeep: centred -142.56, on the negatives -142.09; plain -149.05 and -183.36. Each rule's learning rate
was chosen on the last 10,000 training cases by a third part, `search`, which a run has only if it is asked for. Ours, times and machine:
results/mnist-exact.json; what was tried: docs/recipes/mnist-exact.md.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from harmonium.couplings import Dense
from harmonium.data import binarise, mnist
from harmonium.files import read_tensors, write_tensors
from harmonium.learning import (
    Callback,
    ContrastiveDivergence,
    FastPCD,
    MomentumSGD,
    PersistentCD,
    Rule,
    Tempering,
    TrainingState,
    fit,
)
from harmonium.learning.cases import Data
from harmonium.likelihood import exact_log_z, log_likelihood
from harmonium.models import RBM
from harmonium.models.saving import restore, unshared
from harmonium.recipes.exact.pictures import against_updates, beside_published
from harmonium.report import Section, against_time, filters, write_report
from harmonium.runs.contract import Recipe, headlines
from harmonium.runs.folder import REPORT, Run
from harmonium.seeds import derive
from harmonium.units import Bernoulli

Gradient = Literal["plain", "centred", "enhanced"]

BATCH = 100
CHAINS = 100
LADDER = (0.7, 0.76, 0.82, 0.88, 0.94, 1.0)  # inverse temperatures; from 0 on, six would hardly ever swap
AVERAGING = 0.1  # share of the updates that the rules' parameters are averaged over
GRID = (0.1, 0.2, 0.4, 0.8)  # learning rates that the search tries for each rule
LOOKS = (1, 3)  # epochs after which the rules are judged, beside the last
PYDEEP_EPOCHS, PYDEEP_RATE = 50, 0.01
BURDA = {"CD-1": -164.50, "PCD": -150.11}  # recalled, medium confidence
MELCHIOR: dict[tuple[Gradient, bool], float] = {
    ("centred", False): -142.56,
    ("centred", True): -142.09,
    ("plain", False): -149.05,
    ("plain", True): -183.36,
}


class Tuned(NamedTuple):
    """A learning rule and the learning rate that its search chose."""

    negative: Rule
    rate: float


RULES = {
    "CD-1": Tuned(ContrastiveDivergence(1), 0.4),
    "CD-3": Tuned(ContrastiveDivergence(3), 0.2),
    "CD-25": Tuned(ContrastiveDivergence(25), 0.4),
    "PCD": Tuned(PersistentCD(CHAINS), 0.8),
    "fast PCD": Tuned(FastPCD(CHAINS), 0.8),
    "tempered CD": Tuned(PersistentCD(chains=CHAINS, sampler=Tempering(betas=LADDER)), 0.8),
}
EXACT = ("exact", "Exact: log Z of every machine is a sum over all states of its hidden units.")
GRADIENTS: tuple[Gradient, ...] = ("plain", "centred", "enhanced")


class Plan(NamedTuple):
    """One machine, and how it is learnt."""

    phase: str
    hidden: int
    negative: Rule
    rate: float
    gradient: Gradient
    epochs: int
    looks: Sequence[int]
    averaging: float | None
    seed: int


class Look(NamedTuple):
    """A machine after some updates: processor seconds of learning, exact log Z, and nats of the cases it is judged on."""

    updates: float
    seconds: float
    log_z: float
    nats: float


class Learnt(NamedTuple):
    """A machine at its end, and all looks at it."""

    machine: RBM
    looks: list[Look]

    @property
    def nats(self) -> float:
        return self.looks[-1].nats


def _words(name: str) -> str:
    return name.lower().replace("-", "").replace(" ", "_").replace(".", "_")


def _rule_metric(rule: str) -> str:
    return f"test_nats_{_words(rule)}_20_hidden"


def _centring_metric(gradient: Gradient, negatives: bool) -> str:
    return f"test_nats_{gradient}{'_flipped' if negatives else ''}_16_hidden_threshold"


@dataclasses.dataclass(frozen=True)
class MnistExact(Recipe):
    """RBMs of 16 and 20 hidden units on binary MNIST with exact log Z: learning rules side by side, and centring."""

    part: Literal["both", "rules", "centring", "search"] = "both"
    """Both is rules and centring."""
    epochs: int = 10
    """Of each rule's machines, 600 updates each."""
    repeats: int = 3
    """Machines of each rule."""
    centring_repeats: int = 2
    """Machines of each gradient, on images and on negatives."""
    search_epochs: int = 4
    """Of the search's machines, one for each rule and learning rate."""
    held_out: int = 10_000
    """Training cases, the last ones, that the search judges on; the rules' machines learn from all."""
    data_dir: Path | None = None
    """Where the four original files are, if not in $HARMONIUM_DATA or the cache."""

    name: ClassVar[str] = "mnist-exact"
    paper: ClassVar[str] = "Burda, Grosse & Salakhutdinov 2015; Melchior, Fischer & Wiskott 2016"
    published: ClassVar[dict[str, str]] = {
        **{_rule_metric(name): f"{value:.2f} (settings not known)" for name, value in BURDA.items()},
        **{_centring_metric(*key): f"{value:.2f}" for key, value in MELCHIOR.items()},
    }
    headline_metrics: ClassVar[tuple[str, ...]] = tuple(published)

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.epochs, self.repeats, self.centring_repeats) < 1:
            raise ValueError("a run takes at least one epoch and one machine of each kind")

    @property
    def setting(self) -> str:
        setting = "smoke" if self.smoke else "full"
        return setting if self.part == "both" else f"{setting}, {self.part} alone"

    @property
    def units(self) -> tuple[int, int]:
        """Hidden units of the two parts."""
        return (5, 4) if self.smoke else (20, 16)

    def cases(self) -> tuple[Tensor, Tensor]:
        """Grey images to learn from, and those to be judged on: (cases, 784) uint8."""
        data = mnist.load(self.data_dir)
        return (data.train_images[:400], data.test_images[:200]) if self.smoke else (data.train_images, data.test_images)

    def plans(self, rule: str) -> list[Plan]:
        """The machines of a rule, alike but for the seed."""
        epochs = 2 if self.smoke else self.epochs
        looks = sorted({*(epoch for epoch in LOOKS if epoch < epochs), epochs})
        return [
            Plan(f"{rule} machine {i}", self.units[0], *RULES[rule], "centred", epochs, looks, AVERAGING, derive(self.seed, 0, i))
            for i in range(self.repeats)
        ]

    def search(self, rule: str) -> dict[float, Plan]:
        """A machine of a rule at each learning rate."""
        epochs = 1 if self.smoke else self.search_epochs
        first = self.plans(rule)[0]._replace(epochs=epochs, looks=[epochs], seed=derive(self.seed, 2))
        return {rate: first._replace(phase=f"{rule} rate {rate:g}", rate=rate) for rate in GRID}

    def centrings(self, gradient: Gradient, negatives: bool) -> list[Plan]:
        """The machines of a gradient, on images or on their negatives."""
        phase, epochs = f"{gradient}{' on negatives' if negatives else ''}", 1 if self.smoke else PYDEEP_EPOCHS
        negative, hidden = PersistentCD(BATCH), self.units[1]
        return [
            Plan(f"{phase} machine {i}", hidden, negative, PYDEEP_RATE, gradient, epochs, [epochs], None, derive(self.seed, 1, i))
            for i in range(self.centring_repeats)
        ]

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: choose each rule's learning rate; learn every machine, looking at some on the way; then the means."""
        torch.set_num_threads(self.threads)
        images, judged = self.cases()
        found: list[tuple[str, float, str]] = []
        if self.part == "search":
            held = 100 if self.smoke else self.held_out
            fewer, valid = binarise(images[:-held], "resampled"), binarise(images[-held:], "fixed", seed=30)
            for name in RULES:
                for rate, plan in self.search(name).items():
                    metric = f"validation_nats_{_words(name)}_{self.units[0]}_hidden_rate_{rate:g}"
                    found.append((metric, self.learn(run, plan, fewer, valid).nats, "nats"))
        if self.part in ("both", "rules"):
            every, test = binarise(images, "resampled"), binarise(judged, "fixed", seed=30)
            for name in RULES:
                for plan in self.plans(name):
                    self.learn(run, plan, every, test)
            found += self.figures(run)
        if self.part in ("both", "centring"):
            black, seen = binarise(images, "threshold"), binarise(judged, "threshold")
            for gradient in GRADIENTS:
                for negatives in (False, True):
                    for plan in self.centrings(gradient, negatives):
                        self.learn(run, plan, ~black if negatives else black, ~seen if negatives else seen)
            for key, machines in self.centred(run).items():
                found.append((_centring_metric(*key), fmean(one.nats for one in machines), "nats"))
        exact = [name for name, _, _ in found if "_nats_" in name and not name.endswith("_at_equal_seconds")]
        results = self.results(run, self.setting, found, dict.fromkeys(exact, EXACT))
        self.report(run)
        return results

    def learn(self, run: Run, plan: Plan, data: Data, cases: Tensor) -> Learnt:
        """One machine; one that the run's folder holds is not learnt again. `cases`: (cases, 784), to be judged on."""
        path = run.checkpoint(f"{plan.phase} judged")
        if not path.exists():
            looks = _Looks(cases, plan.looks)
            state = fit(
                self.machine(plan),
                data,
                negative=plan.negative,
                epochs=plan.epochs,
                batch_size=BATCH,
                optimizer=partial(MomentumSGD, lr=plan.rate),
                gradient=plan.gradient,
                averaging=plan.averaging,
                seed=derive(plan.seed, 1),
                callbacks=[looks, *run.callbacks(plan.phase)],
                checkpoint=run.checkpoint(plan.phase),
                progress=False,
            )
            rows = [[row["step"], row["processor_seconds"], row["log_z"], row["nats"]] for row in state.history if "nats" in row]
            write_tensors(path, unshared(_judged(state)), {"looks": rows})
        return self.learnt(run, plan)

    def machine(self, plan: Plan) -> RBM:
        """As it is before learning; one of PyDeep's protocol has its uniform weights."""
        coupling = Dense(784, plan.hidden, seed=derive(plan.seed, 0))
        if plan.averaging is None:
            reach = 4 * math.sqrt(6 / (784 + plan.hidden))
            with torch.no_grad():
                coupling.weight.uniform_(-reach, reach, generator=torch.Generator().manual_seed(derive(plan.seed, 0)))
        return RBM(Bernoulli(784), Bernoulli(plan.hidden), coupling)

    def learnt(self, run: Run, plan: Plan) -> Learnt:
        """A machine that the run's folder holds."""
        machine = self.machine(plan)
        tensors, header = read_tensors(run.checkpoint(f"{plan.phase} judged"))
        restore(machine, tensors)
        return Learnt(machine, [Look(*row) for row in header["looks"]])

    def done(self, run: Run, plans: Sequence[Plan]) -> list[Learnt]:
        return [self.learnt(run, plan) for plan in plans if run.checkpoint(f"{plan.phase} judged").exists()]

    def rules(self, run: Run) -> dict[str, list[Learnt]]:
        """The machines of each rule that are learnt."""
        found = {name: self.done(run, self.plans(name)) for name in RULES}
        return {name: machines for name, machines in found.items() if machines}

    def centred(self, run: Run) -> dict[tuple[Gradient, bool], list[Learnt]]:
        """The machines of each gradient, on images and on negatives, that are learnt."""
        found = {(gradient, on): self.done(run, self.centrings(gradient, on)) for gradient in GRADIENTS for on in (False, True)}
        return {key: machines for key, machines in found.items() if machines}

    def figures(self, run: Run) -> list[tuple[str, float, str]]:
        """Means over each rule's machines: nats at equal updates and at equal seconds, and the seconds that the updates took."""
        rules = self.rules(run)
        found = [(_rule_metric(name), fmean(one.nats for one in machines), "nats") for name, machines in rules.items()]
        least = shared_seconds(rules)
        found.append(("equal_seconds", least, "processor seconds"))
        at_least = {name: mean_at(machines, least) for name, machines in rules.items()}
        found += [(f"{_rule_metric(name)}_at_equal_seconds", nats, "nats") for name, nats in at_least.items() if nats is not None]
        for name, machines in rules.items():
            found.append((f"seconds_{_words(name)}_20_hidden", fmean(one.looks[-1].seconds for one in machines), "processor seconds"))
        return found

    def report(self, run: Run) -> None:
        results = run.results() if run.finished else None
        facts: dict[str, object] = {"seed": self.seed, "training": f"{run.training_seconds:.0f} s"}
        if results is not None:
            facts |= {name: results[name] for name in ("setting", "machine", "commit", "command")}
        parts = [*self.compared(run), *self.flipped(run), *self.searched(run)]
        write_report(
            run.folder / REPORT,
            title=f"{self.name}, seed {self.seed}",
            summary="RBMs of 16 and 20 hidden units on binary MNIST, whose log Z is exact"
            + ("." if results else "; the run has not finished."),
            headline=[line for line in headlines(results) if line.published is not None] if results else (),
            sections=parts or [Section("Nothing yet", "No machine is learnt yet.")],
            facts=facts,
            settings=run.settings,
        )

    def compared(self, run: Run) -> list[Section]:
        """The rules' pictures and tables."""
        rules = self.rules(run)
        if not rules:
            return []
        updates = {name: [[(look.updates, look.nats) for look in one.looks] for one in machines] for name, machines in rules.items()}
        seconds = {name: [(each["processor seconds"], each["nats"]) for each in _means(machines)] for name, machines in rules.items()}
        published = {f"{name}, Burda et al. 2015": value for name, value in BURDA.items()}
        least, best = shared_seconds(rules), max((one for machines in rules.values() for one in machines), key=lambda one: one.nats)
        table = [
            {
                "rule": name,
                "learning rate": f"{RULES[name].rate:g}",
                **{f"{look['updates']:,.0f} updates": f"{look['nats']:.2f}" for look in _means(machines)},
                "sd at the end": f"{_spread(machines):.2f}",
                f"at {least:.0f} s": "–" if (nats := mean_at(machines, least)) is None else f"{nats:.2f}",
                "seconds": f"{fmean(one.looks[-1].seconds for one in machines):.0f}",
            }
            for name, machines in rules.items()
        ]
        return [
            Section(
                "At equal updates",
                f"{self.units[0]} hidden units, test images binarised once, exact log Z. Each line is the mean of {self.repeats} machines "
                "that differ in their seed; the band is from the least to the most.",
                [(against_updates(updates, published), "nats a test case after so many updates, by learning rule")],
                table,
            ),
            Section(
                "At equal seconds",
                "The same machines. Seconds are the processor's own, so that other programs on the machine do not count.",
                [(against_time(seconds, published), "nats a test case after so many processor seconds, by learning rule")],
            ),
            Section(
                f"The best machine of {self.units[0]} hidden units",
                f"{best.nats:.2f} nats a test case, log Z {best.looks[-1].log_z:.2f}.",
                [(filters(best.machine.coupling.matrix().detach(), (28, 28)), "the weights of all its hidden units")],
            ),
        ]

    def flipped(self, run: Run) -> list[Section]:
        """The gradients' pictures and tables."""
        machines = self.centred(run)
        if not machines:
            return []
        nats = {key: [one.nats for one in each] for key, each in machines.items()}
        best = max((one for (_, negatives), each in machines.items() if not negatives for one in each), key=lambda one: one.nats)
        table = [
            {
                "gradient": gradient,
                "cases": "negatives" if negatives else "images",
                "nats": f"{fmean(values):.2f}",
                "each machine": ", ".join(f"{value:.2f}" for value in values),
                "published": MELCHIOR.get((gradient, negatives), ""),
            }
            for (gradient, negatives), values in nats.items()
        ]
        return [
            Section(
                "Centring",
                f"{self.units[1]} hidden units, thresholded images and their negatives (1 - v), PCD-1 with {BATCH} chains, learning rate "
                f"{PYDEEP_RATE:g}, {PYDEEP_EPOCHS} epochs, exact log Z. A rule that does not mind which state of a pixel is called 1 "
                "reaches the same nats on both.",
                [(beside_published(nats, MELCHIOR), "nats a test case by gradient, on images and on negatives, and the published ones")],
                table,
            ),
            Section(
                f"The best machine of {self.units[1]} hidden units",
                f"{best.nats:.2f} nats a test case, log Z {best.looks[-1].log_z:.2f}.",
                [(filters(best.machine.coupling.matrix().detach(), (28, 28)), "the weights of all its hidden units")],
            ),
        ]

    def searched(self, run: Run) -> list[Section]:
        """What each learning rate came to on the held-out cases."""
        rows = []
        for name in RULES:
            machines = {rate: one for rate, plan in self.search(name).items() for one in self.done(run, [plan])}
            rows.append({"rule": name, **{f"rate {rate:g}": f"{one.nats:.2f}" for rate, one in machines.items()}})
        text = f"Nats of {self.held_out:,} held-out training cases after {self.search_epochs} epochs on the others."
        return [Section("The search", text, table=rows)] if any(len(row) > 1 for row in rows) else []


class _Looks(Callback):
    """Keeps the processor seconds of learning, looks left out, beside an epoch's figures; at some epochs also exact log Z and nats."""

    def __init__(self, cases: Tensor, epochs: Sequence[int]) -> None:
        self.cases, self.epochs, self.since = cases, epochs, 0.0

    def on_start(self, state: TrainingState, epochs: int, batches: int) -> None:
        self.since = time.process_time()

    def on_epoch(self, state: TrainingState) -> None:
        row, before = state.history[-1], state.history[-2]["processor_seconds"] if len(state.history) > 1 else 0.0
        row["processor_seconds"] = before + time.process_time() - self.since
        if state.epoch in self.epochs:
            machine = _judged(state)
            row["log_z"] = exact_log_z(machine)
            row["nats"] = log_likelihood(machine, self.cases, log_z=row["log_z"]).mean().item()
        self.since = time.process_time()


def _judged(state: TrainingState) -> RBM:
    """The machine that counts: with averaged parameters, where they are kept."""
    machine = state.averaged() if state.average else state.model
    assert isinstance(machine, RBM)
    return machine


def nats_at(looks: Sequence[Look], seconds: float) -> float | None:
    """Nats after so many seconds, on a straight line in log seconds between two looks; None before the first and after the last."""
    for before, after in itertools.pairwise(looks):
        if before.seconds <= seconds <= after.seconds:
            share = math.log(seconds / before.seconds) / math.log(after.seconds / before.seconds)
            return before.nats + share * (after.nats - before.nats)
    return None


def mean_at(machines: Sequence[Learnt], seconds: float) -> float | None:
    """The mean over machines; None where one of them was not looked at early enough."""
    found = [nats_at(one.looks, seconds) for one in machines]
    return None if None in found else fmean(nats for nats in found if nats is not None)


def shared_seconds(rules: dict[str, list[Learnt]]) -> float:
    """The longest time that every machine was given."""
    return min(one.looks[-1].seconds for machines in rules.values() for one in machines)


def _means(machines: Sequence[Learnt]) -> list[dict[str, float]]:
    """Of each look, over machines."""
    return [
        {
            "updates": looks[0].updates,
            "processor seconds": fmean(look.seconds for look in looks),
            "nats": fmean(look.nats for look in looks),
        }
        for looks in zip(*(one.looks for one in machines), strict=True)
    ]


def _spread(machines: Sequence[Learnt]) -> float:
    nats = torch.tensor([one.nats for one in machines], dtype=torch.float64)
    return nats.std().item() if len(nats) > 1 else math.nan
