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
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from harmonium.data import binarise, mnist
from harmonium.learning import ContrastiveDivergence, FastPCD, PersistentCD, Rule, Tempering
from harmonium.recipes.exact.measured_learning import BATCH, Gradient, Learnt, Plan, finished, learn, mean_at, shared_seconds
from harmonium.recipes.exact.pictures import centring_sections, rule_sections, search_section
from harmonium.report import Section
from harmonium.runs.contract import Metric, Recipe
from harmonium.runs.folder import Run
from harmonium.runs.report_page import headlines, write_run_report
from harmonium.seeds import derive

CHAINS = 100
LADDER = (0.7, 0.76, 0.82, 0.88, 0.94, 1.0)  # inverse temperatures; from 0 on, six would hardly ever swap
AVERAGING = 0.1  # share of the updates that the rules' parameters are averaged over
GRID = (0.1, 0.2, 0.4, 0.8)  # learning rates that the search tries for each rule
MEASURED = (1, 3)  # epochs after which the rules' machines are measured, beside the last
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
        """What the records call these options."""
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
        measured = sorted({*(epoch for epoch in MEASURED if epoch < epochs), epochs})
        return [
            Plan(f"{rule} machine {i}", self.units[0], *RULES[rule], "centred", epochs, measured, AVERAGING, derive(self.seed, 0, i))
            for i in range(self.repeats)
        ]

    def search(self, rule: str) -> dict[float, Plan]:
        """A machine of a rule at each learning rate."""
        epochs = 1 if self.smoke else self.search_epochs
        first = self.plans(rule)[0]._replace(epochs=epochs, measured=[epochs], seed=derive(self.seed, 2))
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
        """The steps: choose each rule's learning rate; learn every machine, measuring some on the way; then the means."""
        torch.set_num_threads(self.threads)
        images, judged = self.cases()
        metrics: list[Metric] = []
        if self.part == "search":
            metrics += search(self, run, images)
        if self.part in ("both", "rules"):
            metrics += compare_rules(self, run, images, judged)
        if self.part in ("both", "centring"):
            metrics += compare_gradients(self, run, images, judged)
        exact = [name for name, _, _ in metrics if "_nats_" in name and not name.endswith("_at_equal_seconds")]
        results = self.results(run, self.setting, metrics, dict.fromkeys(exact, EXACT))
        self.report(run)
        return results

    def report(self, run: Run) -> None:
        rules, gradients = machines_of_rules(self, run), machines_of_gradients(self, run)
        found = {name: {rate: one for rate, plan in self.search(name).items() for one in finished(run, [plan])} for name in RULES}
        sections = []
        if rules:
            rates = {name: RULES[name].rate for name in rules}
            sections += rule_sections(rules, rates, {f"{name}, Burda et al. 2015": value for name, value in BURDA.items()})
        if gradients:
            protocol = f"PCD-1 with {BATCH} chains, learning rate {PYDEEP_RATE:g}, {PYDEEP_EPOCHS} epochs"
            sections += centring_sections(gradients, MELCHIOR, protocol)
        if any(found.values()):
            text = f"Nats of {self.held_out:,} held-out training cases after {self.search_epochs} epochs on the others."
            sections.append(search_section(found, text))
        write_run_report(
            run,
            summary="RBMs of 16 and 20 hidden units on binary MNIST, whose log Z is exact",
            headline=[line for line in headlines(run.results()) if line.published is not None] if run.finished else (),
            sections=sections or [Section("Nothing yet", "No machine is learnt yet.")],
        )


def search(options: MnistExact, run: Run, images: Tensor) -> list[Metric]:
    """Each rule at each learning rate, judged on training cases that it does not learn from."""
    held = 100 if options.smoke else options.held_out
    fewer, valid = binarise(images[:-held], "resampled"), binarise(images[-held:], "fixed", seed=30)
    return [
        (f"validation_nats_{_words(name)}_{plan.hidden}_hidden_rate_{rate:g}", learn(run, plan, fewer, valid).nats, "nats")
        for name in RULES
        for rate, plan in options.search(name).items()
    ]


def compare_rules(options: MnistExact, run: Run, images: Tensor, judged: Tensor) -> list[Metric]:
    """Means over each rule's machines: nats at equal updates and at equal seconds, and the seconds that the updates took."""
    every, test = binarise(images, "resampled"), binarise(judged, "fixed", seed=30)
    for name in RULES:
        for plan in options.plans(name):
            learn(run, plan, every, test)
    rules = machines_of_rules(options, run)
    least = shared_seconds(rules)
    at_least = {name: mean_at(machines, least) for name, machines in rules.items()}
    return [
        *((_rule_metric(name), fmean(one.nats for one in machines), "nats") for name, machines in rules.items()),
        ("equal_seconds", least, "processor seconds"),
        *((f"{_rule_metric(name)}_at_equal_seconds", nats, "nats") for name, nats in at_least.items() if nats is not None),
        *(
            (f"seconds_{_words(name)}_20_hidden", fmean(one.measurements[-1].seconds for one in machines), "processor seconds")
            for name, machines in rules.items()
        ),
    ]


def compare_gradients(options: MnistExact, run: Run, images: Tensor, judged: Tensor) -> list[Metric]:
    """Means over each gradient's machines, on images and on negatives."""
    black, seen = binarise(images, "threshold"), binarise(judged, "threshold")
    for gradient in GRADIENTS:
        for negatives in (False, True):
            for plan in options.centrings(gradient, negatives):
                learn(run, plan, ~black if negatives else black, ~seen if negatives else seen)
    found = machines_of_gradients(options, run)
    return [(_centring_metric(*key), fmean(one.nats for one in machines), "nats") for key, machines in found.items()]


def machines_of_rules(options: MnistExact, run: Run) -> dict[str, list[Learnt]]:
    """The machines of each rule that are learnt."""
    found = {name: finished(run, options.plans(name)) for name in RULES}
    return {name: machines for name, machines in found.items() if machines}


def machines_of_gradients(options: MnistExact, run: Run) -> dict[tuple[Gradient, bool], list[Learnt]]:
    """The machines of each gradient, on images and on negatives, that are learnt."""
    found = {(gradient, on): finished(run, options.centrings(gradient, on)) for gradient in GRADIENTS for on in (False, True)}
    return {key: machines for key, machines in found.items() if machines}
