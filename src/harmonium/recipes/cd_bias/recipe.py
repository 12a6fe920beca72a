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
import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

import harmonium.runs.folder as runs
from harmonium.files import read_tensors, write_tensors
from harmonium.learning import (
    MomentumSGD,
    PersistentCD,
    Rest,
    Rule,
    Schedule,
    Tempering,
    WholeMachines,
    asymmetry,
    fit,
    least_contrast,
    settle,
)
from harmonium.recipes.cd_bias.pictures import asymmetries, directions, dots, flows, trajectories
from harmonium.report import Section, write_report
from harmonium.runs.contract import Recipe, headlines
from harmonium.runs.folder import Run
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
STEPS = {"CD-1": 1, "CD-10": 10}
ALL_STEPS = (1, 2, 3, 5, 10)  # of the asymmetry
SPREADS = (0.3, 1.0, 3.0)
EPOCH = 100  # updates
RATE = 0.1  # of the trajectories: the likelihood's curvature comes to about 10 where all units are on or off together
Phase = dict[str, Tensor]


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

    def machines(self, weight_cost: float = 0.0) -> WholeMachines:
        return WholeMachines(4, 2, weight_cost) if self.smoke else WholeMachines(8, 4, weight_cost)

    @property
    def count(self) -> int:
        """Distributions of each family."""
        return 1 if self.smoke else self.each

    def generator(self, *purpose: int) -> torch.Generator:
        return torch.Generator().manual_seed(derive(self.seed, *purpose))

    def distributions(self) -> Tensor:
        """p_0 of every distribution, the families one after the other: (distributions, visible states)."""
        machines = self.machines()
        rng = np.random.default_rng(derive(self.seed, 0))
        drawn = [torch.from_numpy(rng.dirichlet(np.full(len(machines.v), alpha), size=self.count)) for alpha in (1.0, 0.1)]
        for scale in (1.0, 2.0, 4.0):
            weight = torch.from_numpy(rng.normal(scale=scale, size=(self.count, machines.visible, GENERATOR)))
            # log Σ_h exp: units of ±1/2 without biases are binary units whose biases centre them.
            drawn.append(torch.cosh((machines.v - 0.5) @ weight / 2).log().sum(-1).softmax(-1))
        return torch.cat(drawn)

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: rests without weight cost, rests and chains with it, the update as a field, trajectories."""
        found = self._measure(run)
        results = self.results(run, "smoke" if self.smoke else f"{self.count * len(FAMILIES)} distributions", found.figures())
        self.report(run)
        return results

    # The phases -----------------------------------------------------------------------------------------------------------------

    def _phase(self, run: Run, name: str, compute: Callable[[], Phase]) -> Phase:
        """What a phase found; computed only where the run's folder does not have it."""
        path = run.checkpoint(name)
        if not path.exists():
            began = time.monotonic()
            found = compute()
            write_tensors(path, found, {"phase": name})
            with open(run.folder / runs.FIGURES, "a") as file:
                file.write(json.dumps({"phase": name, "epoch": 1, "seconds": round(time.monotonic() - began, 3)}) + "\n")
        return read_tensors(path)[0]

    def _measure(self, run: Run) -> Measured:
        p = self.distributions()
        plain, cost = self.machines(), self.machines(self.weight_cost)
        starts = torch.cat([plain.draw(len(p), scale, self.generator(1, place)) for place, scale in enumerate(SCALES)])
        many = p.repeat(len(SCALES), 1)
        best = self._phase(run, "maximum likelihood", lambda: _kept(settle(plain, starts, many, None)))
        rests = {
            rule: self._phase(run, rule, partial(self._rests, plain, starts, many, best["theta"], steps)) for rule, steps in STEPS.items()
        }
        with_cost = self._phase(run, "weight cost", partial(self._with_cost, cost, starts[: len(p)], p))
        sampled, tempered = {}, PersistentCD(chains=max(self.chains // 3, 1), sampler=Tempering(betas=6))
        chained: dict[str, Rule] = {"PCD": PersistentCD(self.chains), "tempered CD": tempered}
        for number, (rule, negative) in enumerate(chained.items()):
            sampled[rule] = self._phase(run, rule, partial(self._sampled, cost, with_cost["CD-1"], p, negative, number))
        field = self._phase(run, "field", partial(self._field, plain, p))
        paths = self._phase(run, "trajectories", partial(self._paths, plain, starts[: len(p)], p))
        flow = self._phase(run, "flow", partial(self._flow, plain, starts[: len(p)], p))
        return Measured(p, plain, cost, best, rests, with_cost, sampled, field, paths, flow)

    def _rests(self, machines: WholeMachines, starts: Tensor, p: Tensor, best: Tensor, steps: int) -> Phase:
        """CD's rests from every start and from maximum likelihood's, and where the likelihood leads from the former."""
        rest = settle(machines, starts, p, steps)
        return {
            **_kept(rest),
            "then": settle(machines, rest.theta, p, None).theta,
            "from best": settle(machines, best, p, steps).theta,
        }

    def _with_cost(self, machines: WholeMachines, starts: Tensor, p: Tensor) -> Phase:
        """The same with weight cost, and the least contrast near CD-1's rest."""
        found = {"maximum likelihood": settle(machines, starts, p, None).theta}
        for rule, steps in STEPS.items():
            found[rule] = settle(machines, starts, p, steps).theta
            found[f"{rule} then"] = settle(machines, found[rule], p, None).theta
        return found | {"least contrast": least_contrast(machines, found["CD-1"], p)}

    def _sampled(self, machines: WholeMachines, starts: Tensor, p: Tensor, negative: Rule, number: int) -> Phase:
        """Where a rule with chains ends that begins at CD-1's rests, its chains at draws from these machines."""
        ends = torch.stack([self._one_sampled(machines, starts[n], p[n], negative, derive(self.seed, 2, number, n)) for n in range(len(p))])
        return {"theta": ends, "then": settle(machines, ends, p, None).theta}

    def _one_sampled(self, machines: WholeMachines, start: Tensor, p: Tensor, negative: Rule, seed: int) -> Tensor:
        model = machines.rbm(start)
        updates = EPOCH if self.smoke else self.updates
        epochs = max(updates // EPOCH, 1)
        learn = partial(
            fit,
            model,
            Everything(machines.v, p),
            negative=negative,
            optimizer=partial(MomentumSGD, lr=self.rate),
            schedule=partial(Schedule, lr=lambda epoch: 1 - epoch / epochs),
            weight_cost=self.weight_cost,
            seed=seed,
            progress=False,
        )
        state = learn(epochs=0)
        assert state.chains is not None
        leading = state.chains.shape[:-1]
        draws = machines.log_p(start[None]).exp()[0].multinomial(leading.numel(), replacement=True, generator=state.generator)
        state.chains.copy_(machines.v[draws].reshape(*leading, -1))
        learn(epochs=epochs, state=state)
        return machines.row(model)

    def _field(self, machines: WholeMachines, p: Tensor) -> Phase:
        """|J - J'| / |J| of the update's derivative J at random machines: (spreads, rules, distributions), maximum likelihood last."""
        rows = []
        for place, spread in enumerate(SPREADS):
            theta = machines.draw(len(p), spread, self.generator(3, place))
            rows.append(torch.stack([asymmetry(machines.signal(theta, p, steps).jacobian) for steps in (*ALL_STEPS, None)]))
        return {"asymmetry": torch.stack(rows)}

    def _paths(self, machines: WholeMachines, starts: Tensor, p: Tensor) -> Phase:
        """KL(p_0 || model) of plain gradient steps by each rule, (looks, distributions), and what CD-1's update there points at."""
        updates = 200 if self.smoke else self.trajectory
        looks = sorted({round(updates ** (place / 40)) for place in range(41)})
        found: Phase = {"updates": torch.tensor(looks)}
        rules = {"maximum likelihood": (None, None), "CD-1": (1, 1), "CD-10": (10, 10), "CD-1, then maximum likelihood": (1, None)}
        for rule, (first, second) in rules.items():
            theta, kls, others = starts.clone(), [], []
            for update in range(1, updates + 1):
                theta += RATE * machines.update(theta, p, first if update <= updates // 2 else second)
                if update in looks:
                    kls.append(machines.kl(theta, p))
                    if rule == "CD-1":
                        others.append(_directions(machines, theta, p))
            found[rule] = torch.stack(kls)
            if others:
                found["directions"] = torch.stack(others)
        return found

    def _flow(self, machines: WholeMachines, starts: Tensor, p: Tensor) -> Phase:
        """KL(p_0 || model) along dθ/dt = update(θ) for the sparse family, at times far beyond what steps of any rate reach:
        (times, distributions) a rule."""
        times = np.logspace(0, 2 if self.smoke else 9, 10 if self.smoke else 46)
        found: Phase = {"times": torch.from_numpy(times)}
        sparse = range(self.count, 2 * self.count)
        for rule, steps in {"CD-1": 1, "maximum likelihood": None}.items():
            found[rule] = torch.stack([_followed(machines, starts[n], p[n], steps, times) for n in sparse], dim=1)
        return found

    # The report -----------------------------------------------------------------------------------------------------------------

    def report(self, run: Run) -> None:
        """Draws the report of a finished run. ValueError where it has not finished."""
        results = run.results()
        found = self._measure(run)
        plain, cost = found.gaps(), found.gaps_with_cost()
        names = [f"{family}, {number + 1}" for family in FAMILIES for number in range(self.count)]
        gap_words = "KL(p_0 || model) where the rule rests, less that of the likelihood's optimum that is reached from there"
        table = [
            {"family": family, "drawn": how, **{f"{rule}, mean": gap[place].mean().item() for rule, gap in self._families(plain).items()}}
            | {f"{rule}, weight cost": gap[place].mean().item() for rule, gap in self._families(cost).items()}
            for place, (family, how) in enumerate(FAMILIES.items())
        ]
        write_report(
            run.folder / runs.REPORT,
            title=f"{self.name}, seed {self.seed}",
            summary=f"RBMs of {found.plain.visible} visible and {found.plain.hidden} hidden units learn {len(names)} distributions over "
            "all visible states. All expectations of CD are exact.",
            headline=headlines(results),
            sections=[
                Section(
                    "Bias of the fixed points",
                    f"{gap_words}, in nats: a dot a distribution (the mean over its starts), a line the mean. Left no weight cost, where "
                    f"optima may have infinite weights; right a weight cost of {self.weight_cost:g} in every rule, the likelihood's too, "
                    "with PCD and tempered CD begun at CD-1's rests. What lies below 1e-8, negative values too, is drawn there.",
                    [
                        (
                            dots({"no weight cost": self._families(plain), "with weight cost": self._families(cost)}, tuple(FAMILIES)),
                            gap_words,
                        )
                    ],
                    table,
                ),
                Section(
                    "Trajectories",
                    f"KL(p_0 || model) against updates from small random weights at rate {RATE}: the mean of each family's distributions. "
                    "The fourth line goes on by exact likelihood after half of the updates.",
                    [(trajectories(found.paths, tuple(FAMILIES)), "KL against updates, in nats")],
                ),
                Section(
                    "The end of CD-1",
                    "The sparse family's distributions, no weight cost: the differential equation that ever smaller steps follow, "
                    "integrated far beyond any training (time is updates times rate). Optima have infinite weights; on the way there Gibbs "
                    "sampling slows down, and CD-1, which sees one sweep, may lose what it had learnt.",
                    [(flows(found.flow), "KL(p_0 || model) in nats against time: solid CD-1, dotted maximum likelihood")],
                ),
                Section(
                    "A gradient of nothing",
                    "The derivative J of a gradient is symmetric. |J - J'| / |J| (Frobenius) of the mean update, at machines with all "
                    "parameters from N(0, spread²): its median over the distributions, and its range.",
                    [(asymmetries(found.field["asymmetry"], ALL_STEPS, SPREADS), "asymmetry of the update's derivative; ML: rounding")],
                ),
                Section(
                    "The other objective",
                    "Left: the cosine of CD-1's mean update with the likelihood's gradient, and with the descent direction of the contrast "
                    "KL(p_0 || p_∞) - KL(p_1 || p_∞), along CD-1's trajectory: median and range. Right, with weight cost: by how much the "
                    "contrast falls, its weight cost added, where descent goes on from CD-1's rest, and how far both ends are from the "
                    "likelihood's optimum. CD-1 rests where its objective still falls.",
                    [(directions(found.paths, self._families(found.contrasts()), tuple(FAMILIES)), "what CD-1 follows")],
                ),
                Section("Every distribution", table=self._every(names, plain, cost)),
            ],
            facts={"seed": self.seed, "seconds": results["seconds"]} | {k: results[k] for k in ("setting", "machine", "commit", "command")},
            settings=run.settings,
        )

    def _families(self, gaps: Phase) -> dict[str, Tensor]:
        return {rule: gap.reshape(len(FAMILIES), self.count) for rule, gap in gaps.items()}

    def _every(self, names: list[str], plain: Phase, cost: Phase) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = [{"distribution": name} for name in names]
        for words, gaps in (("", plain), (", weight cost", cost)):
            for rule, gap in gaps.items():
                for row, value in zip(rows, gap.tolist(), strict=True):
                    row[rule + words] = value
        return rows


@dataclasses.dataclass(frozen=True)
class Measured:
    """All phases of a run."""

    p: Tensor
    plain: WholeMachines
    cost: WholeMachines
    best: Phase
    rests: dict[str, Phase]
    with_cost: Phase
    sampled: dict[str, Phase]
    field: Phase
    paths: Phase
    flow: Phase

    def _kl(self, theta: Tensor) -> Tensor:
        """(starts, distributions)."""
        return self.plain.kl(theta, self.p.repeat(len(theta) // len(self.p), 1)).reshape(-1, len(self.p))

    def gaps(self) -> Phase:
        """Without weight cost, of each distribution, the mean over its starts: (distributions)."""
        return {rule: (self._kl(phase["theta"]) - self._kl(phase["then"])).mean(0) for rule, phase in self.rests.items()}

    def gaps_with_cost(self) -> Phase:
        """(distributions), from one start."""
        found = {rule: self._kl(self.with_cost[rule])[0] - self._kl(self.with_cost[f"{rule} then"])[0] for rule in STEPS}
        return found | {rule: self._kl(phase["theta"])[0] - self._kl(phase["then"])[0] for rule, phase in self.sampled.items()}

    def contrasts(self) -> Phase:
        """With weight cost, (distributions) each: how far the contrast at CD-1's rest is above the least one that descent reaches from
        there, and the gaps in KL of both places."""
        values, kls = [], []
        for theta in (self.with_cost["CD-1"], self.with_cost["least contrast"]):
            values.append(self.cost.contrast(theta, self.p, 1) + 0.5 * (self.cost.cost * theta.square()).sum(-1))
            kls.append(self._kl(theta)[0] - self._kl(self.with_cost["CD-1 then"])[0])
        return {"fall of the contrast": values[0] - values[1], "KL gap, CD-1's rest": kls[0], "KL gap, least contrast": kls[1]}

    def figures(self) -> list[tuple[str, float, str]]:
        """The metrics: (name, value, unit)."""
        plain, cost, contrasts = self.gaps(), self.gaps_with_cost(), self.contrasts()
        likelihood = self._kl(self.best["theta"])
        ends = [likelihood, *(self._kl(phase["then"]) for phase in self.rests.values())]
        least = torch.cat(ends).amin(0)
        from_best = self._kl(self.rests["CD-1"]["from best"]) - likelihood
        found = {
            **_means_and_medians("weight_cost", cost),
            **_means_and_medians("no_weight_cost", plain),
            "kl_gap_cd1_no_weight_cost_largest_nats": plain["CD-1"].amax(),
            "kl_gap_cd1_from_likelihood_nats": from_best,
            "kl_of_local_optima_nats": likelihood - least,
            "kl_of_cd1_then_likelihood_nats": self._kl(self.rests["CD-1"]["then"]) - least,
            "kl_gap_least_contrast_nats": contrasts["KL gap, least contrast"],
            "contrast_above_least_nats": contrasts["fall of the contrast"],
        }
        middle = SPREADS.index(1.0)
        asymmetric = self.field["asymmetry"][middle].mean(-1)
        shares = {"cd1": asymmetric[0], "cd10": asymmetric[ALL_STEPS.index(10)], "likelihood": asymmetric[-1]}
        return [
            *((name, value.mean().item(), "nats") for name, value in found.items()),
            *((f"asymmetry_{rule}", value.item(), "") for rule, value in shares.items()),
        ]


def _means_and_medians(which: str, gaps: Phase) -> Phase:
    """The rules' gaps as metrics that say whether there was a weight cost."""
    words = {"CD-1": "cd1", "CD-10": "cd10", "PCD": "pcd", "tempered CD": "tempered"}
    means = {f"kl_gap_{words[rule]}_{which}_nats": gap for rule, gap in gaps.items()}
    return means | {f"kl_gap_{words[rule]}_{which}_median_nats": gap.median() for rule, gap in gaps.items()}


class Everything:
    """All visible states with their probabilities as weights, once an update: (states, *visible.shape) and (states)."""

    def __init__(self, states: Tensor, p: Tensor) -> None:
        self.states, self.p = states, p

    def __len__(self) -> int:
        return EPOCH

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(EPOCH):
            yield self.states, self.p


def _kept(rest: Rest) -> Phase:
    return {"theta": rest.theta, "residual": rest.residual, "growth": rest.growth}


def _directions(machines: WholeMachines, theta: Tensor, p: Tensor) -> Tensor:
    """Of CD-1's update: its cosine with the likelihood's gradient and with the contrast's descent, and the neglected term's relative size:
    (3, machines)."""
    followed, neglected = machines.neglected(theta, p, 1)
    cosine = torch.nn.functional.cosine_similarity
    uphill = machines.update(theta, p, None)
    return torch.stack([cosine(-followed, uphill), cosine(followed, followed + neglected), neglected.norm(dim=1) / followed.norm(dim=1)])


def _followed(machines: WholeMachines, start: Tensor, p: Tensor, steps: int | None, times: np.ndarray[Any, Any]) -> Tensor:
    """KL(p || model) at these times of the flow dθ/dt = update(θ) from `start`: (times)."""
    from scipy.integrate import solve_ivp

    def update(_: float, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return machines.update(torch.from_numpy(x)[None], p[None], steps)[0].numpy()

    def jacobian(_: float, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return machines.signal(torch.from_numpy(x)[None], p[None], steps).jacobian[0].numpy()

    found = solve_ivp(update, (0, times[-1]), start.numpy(), method="BDF", jac=jacobian, rtol=1e-5, atol=1e-8, t_eval=times)
    if not found.success:
        raise FloatingPointError(f"the flow could not be followed beyond time {found.t[-1]:g}: {found.message}")
    theta = torch.from_numpy(found.y.T.copy())
    return machines.kl(theta, p.expand(len(theta), -1))
