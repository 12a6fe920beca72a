"""What every test of one kind of unit asks: gradients, and draws against a table or a distribution."""

import numpy as np
import torch
from scipy import stats

from harmonium.units import NOTHING, Given
from tests.models.machines import close


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def gradients_equal_autograd(unit, states, input):
    """Both gradients of a float64 unit, weighted and under a mask with NaN where units are absent, to 1e-6."""
    present = torch.ones_like(states, dtype=torch.bool)
    present[0, 0] = False
    weights = torch.linspace(0.2, 1.5, len(states), dtype=torch.float64)
    unread = torch.where(present, states, torch.nan)
    given = Given(present=present)
    for w, side, x in ((None, NOTHING, states), (weights, NOTHING, states), (weights, given, unread)):
        each = torch.ones_like(weights) if w is None else w
        clamped = (
            each * (unit.energy(torch.where(present, states, 0.0) if side else x, side) - (unit.statistic(x, side) * input).sum(-1))
        ).sum()
        free = (-each * unit.log_partition(input, side)).sum()
        for value, found in (
            (clamped, unit.parameter_gradient(x, input, w, side)),
            (free, unit.mean_parameter_gradient(input, w, side)),
            (free, unit.mean_parameter_gradient(input, w, side, mean=unit.mean(input, side).detach())),
        ):
            names, parameters = zip(*unit.named_parameters(), strict=True)
            assert tuple(found) == names
            for gradient, expected in zip(found.values(), torch.autograd.grad(value, parameters, retain_graph=True), strict=True):
                close(gradient, expected, 1e-6)


def absent_units_do_not_exist(unit, states, input):
    """What is absent adds nothing, is not drawn and is never read, and the others are as they were."""
    present = torch.ones_like(states, dtype=torch.bool)
    present[:, 0] = False
    given, unread = Given(present=present), torch.where(present, states, torch.nan)
    for found, whole in (
        (unit.mean(input, given), unit.mean(input)),
        (unit.variance(input, given), unit.variance(input)),
        (unit.mode(input, given), unit.mode(input)),
        (unit.statistic(unread, given), unit.statistic(states)),
        (unit.sample(input, generator=generator(), given=given), unit.sample(input, generator=generator())),
    ):
        assert torch.equal(found, torch.where(present, whole, 0.0))
    terms = unit.energy_terms(states)
    close(unit.energy(unread, given), terms[:, 1:].sum(-1), 1e-12)
    alone = [unit.log_partition(input, Given(present=torch.arange(unit.shape[0]).expand_as(input) == i)) for i in range(unit.shape[0])]
    close(sum(alone), unit.log_partition(input), 1e-12)
    close(unit.log_partition(input, given), sum(alone[1:]), 1e-12)


def from_table(log_p):
    """Mean, variance and fourth central moment of counts 0, 1, ... of these log-probabilities, (counts,)."""
    p, k = np.exp(log_p), np.arange(len(log_p))
    mean = p @ k
    return mean, p @ (k - mean) ** 2, p @ (k - mean) ** 4


def moments_agree(drawn, mean, variance, fourth, errors=4):
    """Within four standard errors of mean and variance."""
    drawn = np.asarray(drawn, dtype=float)
    n = len(drawn)
    assert abs(drawn.mean() - mean) <= errors * np.sqrt(variance / n) + 1e-12
    assert abs(((drawn - mean) ** 2).mean() - variance) <= errors * np.sqrt(max(fourth - variance**2, 0) / n) + 1e-12


def follows(drawn, log_p, level=1e-3):
    """A chi-square test of counts, the rare ones taken together."""
    expected = np.exp(log_p) * len(drawn)
    seen = np.bincount(np.asarray(drawn, dtype=int), minlength=len(log_p))
    assert len(seen) == len(log_p)
    common = expected >= 10
    seen, expected = np.append(seen[common], seen[~common].sum()), np.append(expected[common], expected[~common].sum())
    if expected[-1] < 5:
        assert seen[-1] <= 25
        seen, expected = seen[:-1], expected[:-1]
    if len(seen) > 1:
        assert stats.chisquare(seen, expected * seen.sum() / expected.sum()).pvalue > level


def inverts(unit, t, log_p, monkeypatch, *, downwards=False):
    """Draws are the counts at which the cumulative distribution passes a uniform number, but for numbers at its rounding from a step.

    `log_p`: of counts 0, 1, ...; `downwards`: counted from the highest."""
    dtype = unit.bias.dtype
    rounding = max(1, len(log_p) / 25) * (1e-6 if dtype == torch.float32 else 1e-12)
    p = np.exp(log_p)[:: -1 if downwards else 1]
    steps = np.cumsum(p)
    u = np.concatenate([np.linspace(0, 1 - 2.0**-24, 2000), steps - 2 * rounding, steps + 2 * rounding])
    u = np.sort(u[(u >= 0) & (u < 1)])
    u = u[np.abs(u[:, None] - steps).min(1) > rounding]
    expected = np.searchsorted(steps, u, side="right")
    monkeypatch.setattr(f"{type(unit).__module__}.uniform", lambda shape, like, _: torch.tensor(u, dtype=dtype).reshape(shape))
    drawn = unit.sample(torch.full((len(u), 1), t, dtype=dtype), generator=generator())[:, 0]
    close(drawn, len(p) - 1 - expected if downwards else expected, 0)
