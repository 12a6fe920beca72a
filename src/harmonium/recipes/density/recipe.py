"""Binary data sets: RBMs chosen on validation cases, in nats a test case.

Papers: Larochelle & Murray, AISTATS 2011 (mushrooms, nips: an RBM of 23 hidden units learnt by CD, exact Z; and NADE); the other sets and
their canonical splits are those of Lowd & Davis (2010), Van Haaren & Davis (2012) and Bekker et al. (2015). Of each set several machines
are learnt, by persistent or tempered CD with the centred gradient and averaged parameters; the one that is best on the validation cases
meets the test cases, once. Ours, times and machine: results/density.json; what was tried: docs/recipes/density.md.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

import torch
from matplotlib.figure import Figure

from harmonium.data import binary_density
from harmonium.data.binary_density import Splits
from harmonium.files import read_tensors
from harmonium.likelihood import Evaluation
from harmonium.recipes.density.candidates import Candidate, few, search
from harmonium.recipes.density.pictures import curve_section, rasters, rows_section, samples_section, search_section
from harmonium.recipes.density.selection import UPDATES, Budget, chosen, evaluate_on_test, final_path, judge_on_test, learn
from harmonium.report import Section, evaluation
from harmonium.runs.contract import Metric, Recipe
from harmonium.runs.folder import EVALUATION, REPORT, SAMPLES, Run
from harmonium.runs.report_page import write_run_report

DRAWN = 40  # cases in a picture
SMALL = 23  # hidden units of the published RBMs, which a machine of that size is held against
OTHERS: dict[str, dict[str, float]] = {  # published, in nats a test case
    "mushrooms": {f"RBM, {SMALL} hidden": -15.15, "NADE": -9.81},
    "nips": {f"RBM, {SMALL} hidden": -277.37, "NADE": -273.08},
}


def metric(name: str, hidden: int | None = None) -> str:
    """Of a set's best machine, or of the best with so many hidden units."""
    return f"test_nats_{name}" + (f"_{hidden}_hidden" if hidden else "")


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
        """Of the sets."""
        return self.sets or binary_density.NAMES

    @property
    def small(self) -> int:
        """Hidden units of the machine that is held against the published ones."""
        return 4 if self.smoke else SMALL

    def budget(self, splits: Splits) -> Budget:
        """What learning and judging a set may cost."""
        if self.smoke:
            return Budget((20, 40, 40), sweeps=20, epochs=2)
        return Budget((500, 1000, 2500) if few(splits) else (500, 2500, 5000))

    def load(self, name: str) -> Splits:
        """A set; a few cases only in a smoke run."""
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
        metrics: list[Metric] = []
        verdicts, learnt = {}, 0
        for name in self.names:
            splits = self.load(name)
            budget = self.budget(splits)
            judged = [learn(run, name, splits, candidate, budget, self.seed) for candidate in self.candidates(splits)]
            tested = {metric(name): judge_on_test(run, name, splits, judged, budget, self.seed)}
            if self.smoke or name in OTHERS:
                tested[metric(name, self.small)] = judge_on_test(run, name, splits, judged, budget, self.seed, hidden=self.small)
            for nats, header in tested.items():
                metrics += [(nats, header["row"]["test nats"], "nats"), *((each, value, unit) for each, value, unit in header["figures"])]
                verdicts[nats] = header["row"]["verdict"], header["row"]["trust"]
            learnt += len(judged)
        setting = "smoke" if self.smoke else f"{learnt / len(self.names):g} candidates a set"
        results = self.results(run, setting, metrics, verdicts)
        self.report(run)
        return results

    def likelihood(self, run: Run, *, betas: int, chains: int, sweeps: int) -> Evaluation:
        """How good the machine of a run of one set is; drawn into evaluation.png. ValueError for a run of several."""
        machines = chosen(run, self.names)
        if len(self.names) > 1:
            raise ValueError(
                f"{run.folder} holds a machine for each of {len(self.names)} sets: their figures are in {run.folder / REPORT}; "
                "a run of one, begun with --sets NAME, can be evaluated anew"
            )
        name = self.names[0]
        found = evaluate_on_test(self.load(name), machines[name], betas=betas, chains=chains, sweeps=sweeps, seed=self.seed)
        evaluation(found, title=f"{self.name}: {name}, test cases").savefig(run.folder / EVALUATION, dpi=110)
        return found

    def sample(self, run: Run, *, steps: int, seed: int) -> Path:
        """Draws training cases and the machines' own beside them into samples.png, and says where it is: chains of so many sweeps."""
        path = run.folder / SAMPLES
        draw_samples(self, run, steps=steps, seed=seed).savefig(path, dpi=110)
        return path

    def report(self, run: Run) -> None:
        write_run_report(
            run,
            summary="RBMs learnt by persistent CD with the centred gradient, averaged parameters and early stopping. Of each set the "
            "machine with the best validation nats was chosen (where log Z is estimated, the lowest of two runs of AIS and RAISE, less "
            "twice its standard error), and judged once on the test cases",
            sections=sections(self, run),
        )


def draw_samples(options: Density, run: Run, *, steps: int, seed: int) -> Figure:
    """Of each set that is done some training cases, and where chains that begin at them end."""
    generator, pairs = torch.Generator().manual_seed(seed), {}
    for name, machine in chosen(run, options.names).items():
        cases = options.load(name).train
        some = cases[torch.randperm(len(cases), generator=generator)[:DRAWN]]
        pairs[name] = (some, machine.gibbs(some.float(), steps=steps, generator=generator))
    return rasters(pairs)


def sections(options: Density, run: Run) -> list[Section]:
    """The report's parts, of the sets that are done."""
    done = {name: read_tensors(final_path(run, name))[1] for name in options.names if final_path(run, name).exists()}
    if not done:
        return [Section("Nothing yet", "No set has all its candidates learnt.")]
    models = {
        name: {"independent": header["row"]["independent"], **OTHERS.get(name, {}), "ours": header["row"]["test nats"]}
        for name, header in done.items()
    }
    table = [
        {"set": name, **{"epoch" if key == "look" else key: value for key, value in read_tensors(path)[1]["row"].items()}}
        for name in done
        for path in (final_path(run, name), final_path(run, name, options.small))
        if path.exists()
    ]
    curves = (curve_section(run, name, Candidate(**header["candidate"]), UPDATES) for name, header in done.items())
    return [
        rows_section(models, table, options.small),
        *(curve for curve in curves if curve is not None),
        samples_section(draw_samples(options, run, steps=10 if options.smoke else 1000, seed=options.seed)),
        search_section(run, {name: options.candidates(options.load(name)) for name in done}),
    ]
