"""What is computed of machines seen whole: where each rule rests, the update as a field, and the ways that it leads.

`machines` are the enumerated RBMs, `p` is p_0 of every distribution: (distributions, visible states). Each function is one phase of a run,
and gives tensors by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harmonium.analysis import EnumeratedRBMs, FixedPoint, asymmetry, find_fixed_point, minimise_contrast
from harmonium.couplings.products import Precision
from harmonium.learning import MomentumSGD, Rule, Schedule, fit

STEPS = {"CD-1": 1, "CD-10": 10}
ALL_STEPS = (1, 2, 3, 5, 10)  # of the asymmetry
SPREADS = (0.3, 1.0, 3.0)
EPOCH = 100  # updates
RATE = 0.1  # of the trajectories: the likelihood's curvature comes to about 10 where all units are on or off together
Phase = dict[str, Tensor]


@dataclass(frozen=True)
class Sampling:
    """How rules with chains learn.

    Attributes
    ----------
    updates
        How many.
    rate
        The learning rate at first; it falls linearly to zero.
    weight_cost
        Of every machine.
    precision
        As for `fit`: it changes nothing for machines of float64, as those of the recipe are.
    """

    updates: int
    rate: float
    weight_cost: float
    precision: Precision = "float32"


def kept(rest: FixedPoint) -> Phase:
    """Where a rule rests, and how surely."""
    return {"theta": rest.theta, "residual": rest.residual, "growth": rest.growth}


def rests(machines: EnumeratedRBMs, starts: Tensor, p: Tensor, best: Tensor, steps: int) -> Phase:
    """CD's rests from every start and from maximum likelihood's, and where the likelihood leads from the former."""
    rest = find_fixed_point(machines, starts, p, steps)
    return {
        **kept(rest),
        "then": find_fixed_point(machines, rest.theta, p, None).theta,
        "from best": find_fixed_point(machines, best, p, steps).theta,
    }


def rests_with_cost(machines: EnumeratedRBMs, starts: Tensor, p: Tensor) -> Phase:
    """The same with weight cost, and the least contrast near CD-1's rest."""
    found = {"maximum likelihood": find_fixed_point(machines, starts, p, None).theta}
    for rule, steps in STEPS.items():
        found[rule] = find_fixed_point(machines, starts, p, steps).theta
        found[f"{rule} then"] = find_fixed_point(machines, found[rule], p, None).theta
    return found | {"least contrast": minimise_contrast(machines, found["CD-1"], p)}


def ends_of_chains(machines: EnumeratedRBMs, starts: Tensor, p: Tensor, negative: Rule, sampling: Sampling, seeds: list[int]) -> Phase:
    """Where a rule with chains ends that begins at CD-1's rests, its chains at draws from these machines. `seeds`: of each distribution."""
    ends = torch.stack([_end_of_chains(machines, starts[n], p[n], negative, sampling, seed) for n, seed in enumerate(seeds)])
    return {"theta": ends, "then": find_fixed_point(machines, ends, p, None).theta}


def _end_of_chains(machines: EnumeratedRBMs, start: Tensor, p: Tensor, negative: Rule, sampling: Sampling, seed: int) -> Tensor:
    model = machines.rbm(start)
    epochs = max(sampling.updates // EPOCH, 1)
    learn = partial(
        fit,
        model,
        Everything(machines.v, p),
        negative=negative,
        optimizer=partial(MomentumSGD, lr=sampling.rate),
        schedule=partial(Schedule, lr=lambda epoch: 1 - epoch / epochs),
        weight_cost=sampling.weight_cost,
        precision=sampling.precision,
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


def field(machines: EnumeratedRBMs, p: Tensor, generators: list[torch.Generator]) -> Phase:
    """|J - J'| / |J| of the update's derivative J at random machines: (spreads, rules, distributions), maximum likelihood last.

    `generators`: one for each of `SPREADS`.
    """
    rows = []
    for spread, generator in zip(SPREADS, generators, strict=True):
        theta = machines.draw(len(p), spread, generator)
        rows.append(torch.stack([asymmetry(machines.mean_update(theta, p, steps).jacobian) for steps in (*ALL_STEPS, None)]))
    return {"asymmetry": torch.stack(rows)}


def trajectories(machines: EnumeratedRBMs, starts: Tensor, p: Tensor, updates: int) -> Phase:
    """KL(p_0 || model) of plain gradient steps by each rule, (measurements, distributions), and what CD-1's update there points at."""
    measured = sorted({round(updates ** (place / 40)) for place in range(41)})
    found: Phase = {"updates": torch.tensor(measured)}
    rules = {"maximum likelihood": (None, None), "CD-1": (1, 1), "CD-10": (10, 10), "CD-1, then maximum likelihood": (1, None)}
    for rule, (first, second) in rules.items():
        theta, kls, others = starts.clone(), [], []
        for update in range(1, updates + 1):
            theta += RATE * machines.update(theta, p, first if update <= updates // 2 else second)
            if update in measured:
                kls.append(machines.kl(theta, p))
                if rule == "CD-1":
                    others.append(_directions(machines, theta, p))
        found[rule] = torch.stack(kls)
        if others:
            found["directions"] = torch.stack(others)
    return found


def flow(machines: EnumeratedRBMs, starts: Tensor, p: Tensor, times: np.ndarray[Any, Any]) -> Phase:
    """KL(p_0 || model) along dθ/dt = update(θ), at times far beyond what steps of any rate reach: (times, distributions) for each rule."""
    found: Phase = {"times": torch.from_numpy(times)}
    for rule, steps in {"CD-1": 1, "maximum likelihood": None}.items():
        found[rule] = torch.stack([_followed(machines, starts[n], p[n], steps, times) for n in range(len(p))], dim=1)
    return found


class Everything:
    """All visible states with their probabilities as weights, once an update: (states, *visible.shape) and (states)."""

    def __init__(self, states: Tensor, p: Tensor) -> None:
        self.states, self.p = states, p

    def __len__(self) -> int:
        return EPOCH

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(EPOCH):
            yield self.states, self.p


def _directions(machines: EnumeratedRBMs, theta: Tensor, p: Tensor) -> Tensor:
    """Of CD-1's update: its cosine with the likelihood's gradient and with the contrast's descent, and the neglected term's relative size:
    (3, machines)."""
    followed, neglected = machines.neglected(theta, p, 1)
    cosine = torch.nn.functional.cosine_similarity
    uphill = machines.update(theta, p, None)
    return torch.stack([cosine(-followed, uphill), cosine(followed, followed + neglected), neglected.norm(dim=1) / followed.norm(dim=1)])


def _followed(machines: EnumeratedRBMs, start: Tensor, p: Tensor, steps: int | None, times: np.ndarray[Any, Any]) -> Tensor:
    """KL(p || model) at these times of the flow dθ/dt = update(θ) from `start`: (times)."""
    from scipy.integrate import solve_ivp

    def update(_: float, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return machines.update(torch.from_numpy(x)[None], p[None], steps)[0].numpy()

    def jacobian(_: float, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return machines.mean_update(torch.from_numpy(x)[None], p[None], steps).jacobian[0].numpy()

    found = solve_ivp(update, (0, times[-1]), start.numpy(), method="BDF", jac=jacobian, rtol=1e-5, atol=1e-8, t_eval=times)
    if not found.success:
        raise FloatingPointError(f"the flow could not be followed beyond time {found.t[-1]:g}: {found.message}")
    theta = torch.from_numpy(found.y.T.copy())
    return machines.kl(theta, p.expand(len(theta), -1))
