"""Binary data sets: RBMs chosen on validation cases, in nats a test case.

Papers: Larochelle & Murray, AISTATS 2011 (mushrooms, nips: an RBM of 23 hidden units learnt by CD, exact Z; and NADE); the other sets and
their canonical splits are those of Lowd & Davis (2010), Van Haaren & Davis (2012) and Bekker et al. (2015). Of each set several machines
are learnt, by persistent or tempered CD with the centred gradient and averaged parameters; the one that is best on the validation cases
meets the test cases, once. Ours, times and machine: results/density.json; what was tried: docs/recipes/density.md.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor

import harmonium.runs.folder as runs
from harmonium.couplings import Dense
from harmonium.data import binary_density
from harmonium.data.binary_density import Splits
from harmonium.files import read_tensors, write_tensors
from harmonium.learning import MomentumSGD, PersistentCD, Rule, Schedule, Tempering, fit
from harmonium.likelihood import Evaluation, evaluate
from harmonium.likelihood.exact import MOST_STATES
from harmonium.models import RBM
from harmonium.models.saving import restore, unshared
from harmonium.recipes.density.early_stopping import CHAINS, Looks, Nats, Repeated, conservative, lower, nats_of
from harmonium.recipes.density.pictures import bars, rasters
from harmonium.report import Section, evaluation, learning_curves, write_report
from harmonium.runs.contract import Recipe, headlines
from harmonium.runs.folder import EVALUATION, SAMPLES, Run
from harmonium.runs.likelihood_metrics import RAISE_CASES, log_z_figures, verdict
from harmonium.seeds import derive
from harmonium.units import Bernoulli

LOOK = 500  # updates, about, between two looks at the validation cases: an epoch of `fit`
BATCH = 100
AVERAGED = 0.1  # the share of the updates so far that parameters are averaged over
PATIENCE = 6  # looks
DRAWN = 40  # cases in a picture
FEW = 10  # training cases a variable
SMALL = 23  # hidden units of the published RBMs, which a machine of that size is held against
OTHERS: dict[str, dict[str, float]] = {  # published, in nats a test case
    "mushrooms": {f"RBM, {SMALL} hidden": -15.15, "NADE": -9.81},
    "nips": {f"RBM, {SMALL} hidden": -277.37, "NADE": -273.08},
}


def metric(name: str, hidden: int | None = None) -> str:
    """Of a set's best machine, or of the best with so many hidden units."""
    return f"test_nats_{name}" + (f"_{hidden}_hidden" if hidden else "")


@dataclasses.dataclass(frozen=True)
class Candidate:
    """One machine of a search, and how it is learnt."""

    hidden: int
    rate: float
    """The learning rate at first, times the largest eigenvalue of the training cases' covariance; it falls linearly to zero."""
    cost: float = 0.0
    """Weight cost."""
    replicas: int = 1
    """Temperatures of tempered CD; 1 is persistent CD."""
    chains: int = 100
    updates: int = 10_000
    """At most."""

    @property
    def label(self) -> str:
        """What tells it from the others of its set."""
        chains = f" chains {self.chains}" if self.chains != 100 else ""
        tempered = f" temperatures {self.replicas}" if self.replicas > 1 else ""
        return f"hidden {self.hidden} rate {self.rate:g} cost {self.cost:g}{chains}{tempered}"

    def negative(self) -> Rule:
        return PersistentCD(self.chains) if self.replicas == 1 else PersistentCD(chains=self.chains, sampler=Tempering(betas=self.replicas))

    def machine(self, variables: int, seed: int) -> RBM:
        """As it is before learning."""
        return RBM(Bernoulli(variables), Bernoulli(self.hidden), Dense(variables, self.hidden, scale=0.01, seed=seed))


SEARCH = {
    "few": (
        Candidate(23, rate=0.3, cost=0.005, updates=4000),
        Candidate(50, rate=0.3, cost=0.005, updates=4000),
        Candidate(100, rate=0.1, cost=0.005, updates=4000),
        Candidate(100, rate=0.1, cost=0.02, updates=4000),
        Candidate(100, rate=0.3, cost=0.02, updates=4000),
        Candidate(100, rate=0.3, cost=0.05, updates=4000),
        Candidate(50, rate=0.3, cost=0.005, updates=4000, replicas=5, chains=50),
    ),
    "many": (
        Candidate(23, rate=1.0),
        Candidate(100, rate=0.3),
        Candidate(100, rate=1.0),
        Candidate(200, rate=1.0),
        Candidate(100, rate=0.3, chains=500),
        Candidate(100, rate=0.4, replicas=5),
        Candidate(200, rate=0.4, replicas=5),
    ),
}


def few(splits: Splits) -> bool:
    """Whether the danger is overfitting rather than slow learning."""
    cases, variables = splits.train.shape
    return cases < FEW * variables


def search(splits: Splits) -> tuple[Candidate, ...]:
    """The machines that are learnt of a set of this size."""
    return SEARCH["few" if few(splits) else "many"]


class Judged(NamedTuple):
    """A machine as it was at its best look, and its nats on the validation cases by longer annealing."""

    candidate: Candidate
    machine: RBM
    nats: Nats
    look: int
    looks: int


@dataclasses.dataclass(frozen=True)
class Density(Recipe):
    """RBMs on thirteen binary data sets, each chosen among several on validation cases, in nats a test case."""

    data_dir: Path | None = None
    """Where binary-density/NAME/NAME.{train,valid,test}.data are, if not in $HARMONIUM_DATA or the cache."""
    sets: tuple[str, ...] = ()
    """Some of the sets, or others that the folder holds; by default the thirteen of the collection."""

    name: ClassVar[str] = "density"
    paper: ClassVar[str] = "Larochelle & Murray 2011"
    published: ClassVar[dict[str, str]] = {
        **{metric(each): f"{values['NADE']:.2f} (NADE)" for each, values in OTHERS.items()},
        **{metric(each, SMALL): f"{values[f'RBM, {SMALL} hidden']:.2f}" for each, values in OTHERS.items()},
        metric("dna"): "on another split only",
    }
    headline_metrics: ClassVar[tuple[str, ...]] = tuple(published)

    @property
    def names(self) -> tuple[str, ...]:
        return self.sets or binary_density.NAMES

    def betas(self, splits: Splits) -> tuple[int, int, int]:
        """Of annealed importance sampling: at a look, for the choice, and for the test; for the latter two also four times as many."""
        if self.smoke:
            return 20, 40, 40
        return (500, 1000, 2500) if few(splits) else (500, 2500, 5000)

    def load(self, name: str) -> Splits:
        splits = binary_density.load(name, self.data_dir)
        return Splits(*(rows[:200] for rows in splits)) if self.smoke else splits

    def candidates(self, splits: Splits) -> tuple[Candidate, ...]:
        """The search of a set; two of its smaller machines in a smoke run, hardly learnt."""
        found = search(splits)
        if not self.smoke:
            return found
        return tuple(dataclasses.replace(each, hidden=hidden, updates=40) for each, hidden in zip(found, (4, 20), strict=False))

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: for each set learn the candidates, choose one on the validation cases, and judge it on the test cases."""
        torch.set_num_threads(self.threads)
        found, verdicts, learnt = [], {}, 0
        for name in self.names:
            splits = self.load(name)
            judged = [self.learnt(run, name, splits, candidate) for candidate in self.candidates(splits)]
            chosen = {metric(name): self.tested(run, name, splits, judged, None)}
            if self.smoke or name in OTHERS:
                chosen[metric(name, self.small)] = self.tested(run, name, splits, judged, self.small)
            for nats, header in chosen.items():
                found += [(nats, header["row"]["test nats"], "nats"), *((each, value, unit) for each, value, unit in header["figures"])]
                verdicts[nats] = header["row"]["verdict"], header["row"]["trust"]
            learnt += len(judged)
        setting = "smoke" if self.smoke else f"{learnt / len(self.names):g} candidates a set"
        results = self.results(run, setting, found, verdicts)
        self.report(run)
        return results

    def learnt(self, run: Run, name: str, splits: Splits, candidate: Candidate) -> Judged:
        """One candidate, learnt and judged on the validation cases; what the run's folder has of it is not done again."""
        phase, path = _phase(name, candidate), _judged_path(run, name, candidate)
        machine = candidate.machine(splits.train.shape[1], derive(self.seed, 0))
        base_rates = splits.train.double().mean(0).float()
        at_look, at_choice, _ = self.betas(splits)
        if not path.exists():
            cases = len(splits.train)
            times = max(round(LOOK / -(-cases // BATCH)), 1)
            looks = max(round(candidate.updates / (-(-cases * times // BATCH))), 2)
            if self.smoke:
                times, looks = 1, 2
            state = fit(
                machine,
                Repeated(splits.train, times),
                negative=candidate.negative(),
                epochs=looks,
                batch_size=BATCH,
                optimizer=partial(MomentumSGD, lr=candidate.rate / leading_variance(splits)),
                schedule=partial(Schedule, lr=lambda epoch: max(1 - epoch / looks, 0.0)),
                weight_cost=candidate.cost,
                gradient="centred",
                averaging=AVERAGED,
                validation=splits.valid,
                seed=derive(self.seed, 1),
                callbacks=[
                    Looks(splits.valid, base_rates, betas=at_look, patience=PATIENCE, seed=derive(self.seed, 2)),
                    *run.callbacks(phase),
                ],
                checkpoint=run.checkpoint(phase),
                progress=False,
            )
            restore(machine, state.best)
            nats = self.judged(machine, splits.valid, base_rates, betas=at_choice, seed=derive(self.seed, 3))
            write_tensors(path, unshared(machine), {"nats": nats, "look": state.best_epoch, "looks": looks})
        tensors, header = read_tensors(path)
        restore(machine, tensors)
        return Judged(candidate, machine, Nats(*header["nats"]), header["look"], header["looks"])

    def judged(self, machine: RBM, cases: Tensor, base_rates: Tensor, *, betas: int, seed: int) -> Nats:
        """Nats of some cases, with exact log Z where it can be had; else what promises least of AIS at two lengths and RAISE."""
        short, long = (
            nats_of(machine, cases, base_rates, betas=each, seed=derive(seed, each), listed=MOST_STATES) for each in (betas, 4 * betas)
        )
        nats = lower(short, long)
        if not nats.error:
            return nats
        return lower(nats, conservative(machine, cases, base_rates, betas=4 * betas, seed=derive(seed, 0)))

    @property
    def small(self) -> int:
        """Hidden units of the machine that is held against the published ones."""
        return 4 if self.smoke else SMALL

    def tested(self, run: Run, name: str, splits: Splits, judged: list[Judged], hidden: int | None) -> dict[str, Any]:
        """The best of the machines, or of those with so many hidden units, on the test cases: its candidate, its row of the table and its
        other figures. Done once."""
        path = _tested_path(run, name, hidden)
        if not path.exists():
            best = max((each for each in judged if hidden in (None, each.candidate.hidden)), key=lambda each: each.nats.cautious)
            found = self.evaluated(splits, best.machine, betas=self.betas(splits)[2], chains=CHAINS, sweeps=20 if self.smoke else 500)
            figures = log_z_figures(found, f"{name}_{hidden}_hidden_" if hidden else f"{name}_")
            header = {"candidate": dataclasses.asdict(best.candidate), "row": _row(splits, best, found), "figures": figures}
            write_tensors(path, unshared(best.machine), header)
        return read_tensors(path)[1]

    def evaluated(self, splits: Splits, machine: RBM, *, betas: int, chains: int, sweeps: int) -> Evaluation:
        """On the test cases, held against the training cases."""
        seed = derive(self.seed, 4)
        return evaluate(
            machine,
            splits.test,
            training=splits.train,
            betas=betas,
            chains=chains,
            sweeps=sweeps,
            raise_cases=RAISE_CASES,
            seed=seed,
            progress=True,
        )

    def chosen(self, run: Run) -> dict[str, RBM]:
        """The machines of the sets that are done. ValueError if there is none."""
        machines = {}
        for name in self.names:
            if _tested_path(run, name).exists():
                tensors, header = read_tensors(_tested_path(run, name))
                machines[name] = Candidate(**header["candidate"]).machine(len(tensors["visible.bias"]), 0)
                restore(machines[name], tensors)
        if not machines:
            raise ValueError(f"{run.folder} has finished no set yet: its first machine comes when all candidates of a set are learnt")
        return machines

    def likelihood(self, run: Run, *, betas: int, chains: int, sweeps: int) -> Evaluation:
        """How good the machine of a run of one set is; drawn into evaluation.png. ValueError for a run of several."""
        machines = self.chosen(run)
        if len(self.names) > 1:
            raise ValueError(
                f"{run.folder} holds a machine for each of {len(self.names)} sets: their figures are in {run.folder / runs.REPORT}; "
                "a run of one, begun with --sets NAME, can be evaluated anew"
            )
        name = self.names[0]
        found = self.evaluated(self.load(name), machines[name], betas=betas, chains=chains, sweeps=sweeps)
        evaluation(found, title=f"{self.name}: {name}, test cases").savefig(run.folder / EVALUATION, dpi=110)
        return found

    def sample(self, run: Run, *, steps: int, seed: int) -> Path:
        """Draws training cases and the machines' own beside them into samples.png, and says where it is: chains of so many sweeps."""
        path = run.folder / SAMPLES
        self._rasters(run, steps=steps, seed=seed).savefig(path, dpi=110)
        return path

    def _rasters(self, run: Run, *, steps: int, seed: int) -> Figure:
        generator, pairs = torch.Generator().manual_seed(seed), {}
        for name, machine in self.chosen(run).items():
            cases = self.load(name).train
            some = cases[torch.randperm(len(cases), generator=generator)[:DRAWN]]
            pairs[name] = (some, machine.gibbs(some.float(), steps=steps, generator=generator))
        return rasters(pairs)

    def report(self, run: Run) -> None:
        """Draws the report of a finished or unfinished run."""
        done = {name: read_tensors(_tested_path(run, name))[1] for name in self.names if _tested_path(run, name).exists()}
        rows = {name: header["row"] for name, header in done.items()}
        summary = (
            "RBMs learnt by persistent CD with the centred gradient, averaged parameters and early stopping. Of each set the machine "
            "with the best validation nats was chosen (where log Z is estimated, the lowest of two runs of AIS and RAISE, less twice its "
            "standard error), and judged once on the test cases."
        )
        facts: dict[str, object] = {"seed": self.seed, "training": f"{run.training_seconds:.0f} s"}
        results = run.results() if run.finished else None
        if results:
            facts |= {name: results[name] for name in ("setting", "machine", "commit", "command")}
        else:
            summary += " The run has not finished."
        write_report(
            run.folder / runs.REPORT,
            title=f"{run.recipe}, seed {self.seed}",
            summary=summary,
            headline=headlines(results) if results else (),
            sections=self._sections(run, done, rows),
            facts=facts,
            settings=run.settings,
        )

    def _sections(self, run: Run, done: dict[str, dict[str, Any]], rows: dict[str, dict[str, Any]]) -> list[Section]:
        if not rows:
            return [Section("Nothing yet", "No set has all its candidates learnt.")]
        histories = run.histories()
        curves = {
            name: [
                {key: row[key] for key in ("epoch", "validation_nats", "log_z_error", "free_energy_gap", "reconstruction_error")}
                for row in histories.get(_phase(name, Candidate(**header["candidate"])), [])
            ]
            for name, header in done.items()
        }
        searched = [
            {"set": name, "machine": candidate.label, **_figures(run, name, candidate)}
            for name in rows
            for candidate in self.candidates(self.load(name))
        ]
        bar_caption = "test nats; the number is log p a case, the bar how far that is above independent variables"
        return [
            Section(
                "Every set",
                "Nats a test case. 'Independent' is the model of independent variables with the training set's base rates. AIS at two "
                "lengths and reverse AIS from tempered chains are three estimates of one log Z; RAISE is a bound for the annealing model. "
                "The lowest of them counts; where log Z is exact all are left out. A second row of a set is that of its best machine of "
                f"{self.small} hidden units, as the published ones have.",
                [(bars({name: _models(name, row) for name, row in rows.items()}), bar_caption)],
                [
                    {"set": name, **read_tensors(path)[1]["row"]}
                    for name in rows
                    for path in (_tested_path(run, name), _tested_path(run, name, self.small))
                    if path.exists()
                ],
            ),
            *(
                Section(
                    f"Learning curves: {name}",
                    figures=[(learning_curves({name: curve}), f"{name}, the chosen machine; an epoch is a look, about {LOOK} updates")],
                )
                for name, curve in curves.items()
                if curve
            ),
            Section(
                "Cases and samples",
                "Training cases on the left, on the right what Gibbs sampling from these leads to; a row a case, black is 1.",
                [(self._rasters(run, steps=10 if self.smoke else 1000, seed=self.seed), "training cases and samples")],
            ),
            Section("The search", "Validation nats of every candidate at its best look, and the error they owe to log Z.", table=searched),
        ]


def _phase(name: str, candidate: Candidate) -> str:
    return f"{name} {candidate.label}"


def _judged_path(run: Run, name: str, candidate: Candidate) -> Path:
    return run.checkpoint(f"{_phase(name, candidate)} judged")


def _tested_path(run: Run, name: str, hidden: int | None = None) -> Path:
    return run.checkpoint(f"{name} tested" if hidden is None else f"{name} {hidden} hidden tested")


def _row(splits: Splits, best: Judged, found: Evaluation) -> dict[str, Any]:
    """Of the table of test figures; the lowest of the estimates counts."""
    row: dict[str, Any] = {"independent": round(independent(splits), 2), "validation nats": round(best.nats.value, 2)}
    row |= {"test nats": round(found.cautious.nats, 3), "±": round(found.case_error, 2), "log Z": "exact" if found.exact else "estimated"}
    for name, way in (("short", found.short), ("long", found.long), ("reverse", found.reverse)):
        if way is not None:
            row[f"nats, {name}"] = round(found.nats + found.log_z - way.log_z, 2)
            row[f"ESS, {name}"] = round(way.ess)
    if found.raised is not None:
        row["nats, RAISE"] = round(found.nats + found.log_z - found.raised.log_z, 2)
    told = dict(zip(("verdict", "trust"), verdict(found), strict=True))
    return row | {"machine": best.candidate.label, "look": f"{best.look} of {best.looks}", **told}


def _models(name: str, row: dict[str, Any]) -> dict[str, float]:
    """Every model's test nats."""
    return {"independent": row["independent"], **OTHERS.get(name, {}), "ours": row["test nats"]}


def _figures(run: Run, name: str, candidate: Candidate) -> dict[str, Any]:
    path = _judged_path(run, name, candidate)
    if not path.exists():
        return {}
    header = read_tensors(path)[1]
    nats = Nats(*header["nats"])
    return {"validation nats": f"{nats.value:.2f}", "±": f"{nats.error:.2f}", "look": f"{header['look']} of {header['looks']}"}


def leading_variance(splits: Splits) -> float:
    """The largest eigenvalue of the training cases' covariance: how steep the likelihood is at first, and so how small a step must be."""
    return float(torch.linalg.eigvalsh(torch.cov(splits.train.double().T))[-1])


def independent(splits: Splits) -> float:
    """Mean log-probability of the test cases, in nats, if all variables were independent; rates from the training cases, one of each value
    added."""
    rates = (splits.train.double().sum(0) + 1) / (len(splits.train) + 2)
    test = splits.test.double()
    return (test @ rates.log() + (1 - test) @ (1 - rates).log()).mean().item()
