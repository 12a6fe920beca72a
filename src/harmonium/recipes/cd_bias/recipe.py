"""Where do learning rules rest? Exact maximum likelihood against CD-1, CD-10, persistent and tempered CD on machines seen whole.

Papers: Carreira-Perpiñán & Hinton, "On contrastive divergence learning", AISTATS 2005: CD's fixed points are in general not those of
maximum likelihood, but near them. Sutskever & Tieleman, AISTATS 2010: CD-1's update is the gradient of no function; the tutorial's slide
(IPAM 2012): CD "is approximately following the gradient of another objective function", KL(p_0 || p_∞) - KL(p_k || p_∞), less a term
that is neglected. RBMs of 8 visible and 4 hidden units learn 20 distributions over all 256 visible states; the expectations under
p_k = p_0 T^k are exact, so that nothing but PCD and tempering draws anything. Ours, times and machine: results/cd-bias.json; the
protocol in full: docs/recipes/cd-bias.md.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from harmonium.analysis import EnumeratedRBMs, find_fixed_point
from harmonium.files import read_tensors, write_tensors
from harmonium.learning import PersistentCD, Rule, Tempering
from harmonium.recipes.cd_bias.measured import Measured
from harmonium.recipes.cd_bias.phases import (
    EPOCH,
    SPREADS,
    STEPS,
    Phase,
    Sampling,
    ends_of_chains,
    field,
    flow,
    kept,
    rests,
    rests_with_cost,
    trajectories,
)
from harmonium.recipes.cd_bias.pictures import sections
from harmonium.runs.contract import Recipe
from harmonium.runs.folder import METRICS, Run
from harmonium.runs.metrics_file import append_row
from harmonium.runs.report_page import write_run_report
from harmonium.seeds import derive

FAMILIES = {
    "uniform on the simplex": "every distribution over the 256 states is as likely (Dirichlet, 1)",
    "sparse": "Dirichlet, 0.1: few states have most of the probability",
    "RBM, weights 1": "16 hidden units, weights from N(0, 1), the spins' biases zero",
    "RBM, weights 2": "the same, from N(0, 2²)",
    "RBM, weights 4": "the same, from N(0, 4²): deep modes",
}
GENERATOR = 16  # hidden units of the machines that distributions are taken from
SCALES = (0.1, 0.1, 1.0)  # of the parameters that learning starts from


@dataclasses.dataclass(frozen=True)
class CdBias(Recipe):
    """The fixed points of maximum likelihood, CD-1, CD-10, PCD and tempered CD on enumerable machines: KL divergences and asymmetry."""

    each: int = 4
    """Distributions of each of the five families."""
    weight_cost: float = 1e-4
    """In the part with PCD and tempering, whose optima must be finite."""
    updates: int = 3000
    """Of PCD and tempered CD."""
    rate: float = 0.1
    """Their learning rate at first; it falls linearly to zero."""
    chains: int = 300
    """Of PCD; tempered CD has a third of them at 6 temperatures."""
    trajectory: int = 10_000
    """Updates of the trajectories."""

    name: ClassVar[str] = "cd-bias"
    paper: ClassVar[str] = "Carreira-Perpiñán & Hinton 2005; Sutskever & Tieleman 2010"
    published: ClassVar[dict[str, str]] = {
        "kl_gap_cd1_weight_cost_nats": "not 0, but small",
        "kl_gap_cd10_weight_cost_nats": "nearly 0",
        "kl_gap_pcd_weight_cost_nats": "0 as the rate falls",
        "kl_gap_tempered_weight_cost_nats": "0 as the rate falls",
        "kl_gap_cd1_no_weight_cost_nats": "not 0, but small",
        "kl_gap_cd10_no_weight_cost_nats": "nearly 0",
        "asymmetry_cd1": "not 0",
    }
    headline_metrics: ClassVar[tuple[str, ...]] = tuple(published)

    def machines(self, weight_cost: float = 0.0) -> EnumeratedRBMs:
        """The machines that learn; fewer units in a smoke run."""
        return EnumeratedRBMs(4, 2, weight_cost) if self.smoke else EnumeratedRBMs(8, 4, weight_cost)

    @property
    def count(self) -> int:
        """Distributions of each family."""
        return 1 if self.smoke else self.each

    def generator(self, *purpose: int) -> torch.Generator:
        """Of the draws for one purpose."""
        return torch.Generator().manual_seed(derive(self.seed, *purpose))

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: rests without weight cost, rests and chains with it, the update as a field, trajectories."""
        metrics = measure(self, run).metrics()
        results = self.results(run, "smoke" if self.smoke else f"{self.count * len(FAMILIES)} distributions", metrics)
        self.report(run)
        return results

    def report(self, run: Run) -> None:
        """Draws the report of a finished run. ValueError where it has not finished."""
        run.results()  # which refuses a run that has not finished
        measured = measure(self, run)
        plain, count = measured.plain, self.count * len(FAMILIES)
        write_run_report(
            run,
            summary=f"RBMs of {plain.visible} visible and {plain.hidden} hidden units learn {count} distributions over all visible states. "
            "All expectations of CD are exact",
            sections=sections(measured, FAMILIES, self.weight_cost),
        )


def distributions(options: CdBias) -> Tensor:
    """p_0 of every distribution, the families one after the other: (distributions, visible states)."""
    machines = options.machines()
    rng = np.random.default_rng(derive(options.seed, 0))
    drawn = [torch.from_numpy(rng.dirichlet(np.full(len(machines.v), alpha), size=options.count)) for alpha in (1.0, 0.1)]
    for scale in (1.0, 2.0, 4.0):
        weight = torch.from_numpy(rng.normal(scale=scale, size=(options.count, machines.visible, GENERATOR)))
        # log Σ_h exp: units of ±1/2 without biases are binary units whose biases centre them.
        drawn.append(torch.cosh((machines.v - 0.5) @ weight / 2).log().sum(-1).softmax(-1))
    return torch.cat(drawn)


def measure(options: CdBias, run: Run) -> Measured:
    """All phases; those that the run's folder has are not computed again."""
    p, smoke = distributions(options), options.smoke
    plain, cost = options.machines(), options.machines(options.weight_cost)
    starts = torch.cat([plain.draw(len(p), scale, options.generator(1, place)) for place, scale in enumerate(SCALES)])
    small, many = starts[: len(p)], p.repeat(len(SCALES), 1)
    best = phase(run, "maximum likelihood", lambda: kept(find_fixed_point(plain, starts, many, None)))
    at_rest = {rule: phase(run, rule, partial(rests, plain, starts, many, best["theta"], steps)) for rule, steps in STEPS.items()}
    with_cost = phase(run, "weight cost", partial(rests_with_cost, cost, small, p))
    chained: dict[str, Rule] = {
        "PCD": PersistentCD(options.chains),
        "tempered CD": PersistentCD(chains=max(options.chains // 3, 1), sampler=Tempering(betas=6)),
    }
    sampling, sampled = Sampling(EPOCH if smoke else options.updates, options.rate, options.weight_cost, run.precision), {}
    for number, (rule, negative) in enumerate(chained.items()):
        seeds = [derive(options.seed, 2, number, n) for n in range(len(p))]
        sampled[rule] = phase(run, rule, partial(ends_of_chains, cost, with_cost["CD-1"], p, negative, sampling, seeds))
    updates = 200 if smoke else options.trajectory
    times = np.logspace(0, 2 if smoke else 9, 10 if smoke else 46)
    sparse = slice(options.count, 2 * options.count)
    return Measured(
        p,
        plain,
        cost,
        best,
        at_rest,
        with_cost,
        sampled,
        phase(run, "field", partial(field, plain, p, [options.generator(3, place) for place in range(len(SPREADS))])),
        phase(run, "trajectories", partial(trajectories, plain, small, p, updates)),
        phase(run, "flow", partial(flow, plain, small[sparse], p[sparse], times)),
    )


def phase(run: Run, name: str, compute: Callable[[], Phase]) -> Phase:
    """What a phase found; computed only where the run's folder does not have it."""
    path = run.checkpoint(name)
    if not path.exists():
        began = time.monotonic()
        found = compute()
        write_tensors(path, found, {"phase": name})
        append_row(run.folder / METRICS, {"phase": name, "epoch": 1, "seconds": round(time.monotonic() - began, 3)})
    return read_tensors(path)[0]
