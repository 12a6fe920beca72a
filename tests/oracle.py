"""Two-layer machines by brute force: every joint state in a table, real-valued units on a dense grid.

Nothing here comes from the package: parameters are plain arrays, energies are the textbook sums written as loops over units,
and every other number is a sum over the table. The trapezium rule on a grid of step h converges like exp(-2 (πσ/h)²) for a
Gaussian, so a step of 0.6 with σ >= 0.75 is exact to about thirteen digits.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np

STEP, REACH = 0.6, 10.2


@dataclass(frozen=True)
class Part:
    """Units of one kind. `bias`: (units,); `variance`: (units,), of Gaussian units; `categories`: of softmax groups."""

    kind: str
    bias: np.ndarray
    variance: np.ndarray | None = None
    categories: int = 0


@dataclass(frozen=True)
class Machine:
    """`visible`, `hidden`: the parts of each layer, side by side; `weight`: (visible, hidden)."""

    visible: tuple[Part, ...]
    hidden: tuple[Part, ...]
    weight: np.ndarray

    def flipped(self) -> Machine:
        return Machine(self.hidden, self.visible, self.weight.T)


def logsumexp(terms, axis=None):
    top = np.max(terms, axis=axis, keepdims=True)
    total = np.log(np.sum(np.exp(terms - top), axis=axis, keepdims=True)) + top
    return total.squeeze() if axis is None else np.squeeze(total, axis)


def table(parts):
    """All states of a layer, (states, units), and the log measure of each, which is that of a grid cell for real units."""
    columns = []
    for part in parts:
        if part.kind == "bernoulli":
            columns += [[((0.0,), 0.0), ((1.0,), 0.0)] for _ in part.bias]
        elif part.kind == "gaussian":
            for bias in part.bias:
                columns.append([((bias + x,), math.log(STEP)) for x in np.arange(-REACH, REACH + STEP / 2, STEP)])
        elif part.kind == "softmax":
            one_hot = [tuple(float(i == k) for i in range(part.categories)) for k in range(part.categories)]
            columns += [[(row, 0.0) for row in one_hot] for _ in range(len(part.bias) // part.categories)]
    states, measures = [], []
    for combination in itertools.product(*columns):
        states.append([value for values, _ in combination for value in values])
        measures.append(sum(measure for _, measure in combination))
    return np.array(states), np.array(measures)


def layer_energy(parts, states):
    """-b v for binary and one-of-k units, (v - b)² / 2σ² for real ones, summed over units: (cases,)."""
    total, place = np.zeros(len(states)), 0
    for part in parts:
        for unit, bias in enumerate(part.bias):
            x = states[:, place]
            total = total + (x - bias) ** 2 / (2 * part.variance[unit]) if part.kind == "gaussian" else total - bias * x
            place += 1
    return total


def scales(parts):
    """What each unit's state is divided by where it meets the weights: its variance if it is real-valued."""
    return np.concatenate([np.ones(0), *(part.variance if part.kind == "gaussian" else np.ones(len(part.bias)) for part in parts)])


def energies(machine, v, h):
    """E of every pair of rows: (rows of v, rows of h)."""
    total = layer_energy(machine.visible, v)[:, None] + layer_energy(machine.hidden, h)[None, :]
    scale_v, scale_h = scales(machine.visible), scales(machine.hidden)
    for i in range(v.shape[1]):
        for j in range(h.shape[1]):
            total -= np.outer(v[:, i] / scale_v[i] * machine.weight[i, j], h[:, j] / scale_h[j])
    return total


def free_energy(machine, v):
    """-log Σ_h exp(-E(v, h)): (rows,)."""
    h, measure = table(machine.hidden)
    return -logsumexp(measure - energies(machine, v, h), axis=1)


def conditional(machine, v):
    """p(h | v) as a table: the hidden states, and (rows, states) probabilities of each grid cell."""
    h, measure = table(machine.hidden)
    log_joint = measure - energies(machine, v, h)
    return h, np.exp(log_joint - logsumexp(log_joint, axis=1)[:, None])


def hidden_moments(machine, v):
    """Mean and variance of each hidden unit given v: two arrays (rows, hidden)."""
    h, p = conditional(machine, v)
    mean = p @ h
    return mean, np.array([[np.sum(p[n] * (h[:, j] - mean[n, j]) ** 2) for j in range(h.shape[1])] for n in range(len(v))])


def log_z(machine):
    v, measure_v = table(machine.visible)
    h, measure_h = table(machine.hidden)
    return float(logsumexp(measure_v[:, None] + measure_h[None, :] - energies(machine, v, h)))


def visible_distribution(machine):
    """The visible states and p(v), for a machine whose visible units are discrete."""
    v, _ = table(machine.visible)
    return v, np.exp(-free_energy(machine, v) - log_z(machine))


def log_likelihood(machine, data):
    return -free_energy(machine, data) - log_z(machine)


def parameters(machine):
    """Every free number of a machine, by name: weight, then each part's bias and log-variance."""
    found = {("coupling", 0, "weight"): machine.weight}
    for side in ("visible", "hidden"):
        for index, part in enumerate(getattr(machine, side)):
            found[side, index, "bias"] = part.bias
            if part.kind == "gaussian":
                found[side, index, "log_variance"] = np.log(part.variance)
    return found


def with_parameter(machine, key, value):
    side, index, name = key
    if side == "coupling":
        return replace(machine, weight=value)
    parts = list(getattr(machine, side))
    change = {"bias": value} if name == "bias" else {"variance": np.exp(value)}
    parts[index] = replace(parts[index], **change)
    return replace(machine, **{side: tuple(parts)})


def numerical_gradient(machine, function, step=1e-4):
    """Central differences of a number with respect to every parameter."""
    gradient = {}
    for key, value in parameters(machine).items():
        slope = np.zeros_like(value)
        for place in np.ndindex(value.shape):
            sides = []
            for sign in (1, -1):
                moved = value.copy()
                moved[place] += sign * step
                sides.append(function(with_parameter(machine, key, moved)))
            slope[place] = (sides[0] - sides[1]) / (2 * step)
        gradient[key] = slope
    return gradient


def log_likelihood_gradient(machine, data, weights):
    """Of the weighted sum of log p(v) over the data."""
    return numerical_gradient(machine, lambda moved: float(np.dot(weights, log_likelihood(moved, data))))


def without(machine, present):
    """The machine whose visible units where `present` is false do not exist."""
    parts, place = [], 0
    for part in machine.visible:
        kept = present[place : place + len(part.bias)]
        place += len(part.bias)
        if kept.any():
            parts.append(replace(part, bias=part.bias[kept], variance=None if part.variance is None else part.variance[kept]))
    return Machine(tuple(parts), machine.hidden, machine.weight[present])


def gaussian_log_z(machine):
    """log Z of Gaussian units on both sides: one joint Gaussian, by its precision matrix."""
    (visible,), (hidden,) = machine.visible, machine.hidden
    n = len(visible.bias)
    scaled = machine.weight / visible.variance[:, None] / hidden.variance[None, :]
    precision = np.diag(1 / np.concatenate([visible.variance, hidden.variance]))
    precision[:n, n:], precision[n:, :n] = -scaled, -scaled.T
    linear = np.concatenate([visible.bias / visible.variance, hidden.bias / hidden.variance])
    constant = -0.5 * np.sum(visible.bias**2 / visible.variance) - 0.5 * np.sum(hidden.bias**2 / hidden.variance)
    sign, log_determinant = np.linalg.slogdet(precision)
    assert sign > 0
    return constant + 0.5 * linear @ np.linalg.solve(precision, linear) + 0.5 * (len(linear) * math.log(2 * math.pi) - log_determinant)


def pseudo_likelihood(machine, v):
    """Σ_i log p(v_i | the other visible units) of binary visible units, by listing both values of each: (rows,)."""
    total = np.zeros(len(v))
    for i in range(v.shape[1]):
        pair = []
        for value in (0.0, 1.0):
            changed = v.copy()
            changed[:, i] = value
            pair.append(-free_energy(machine, changed))
        total += np.where(v[:, i] == 1, pair[1], pair[0]) - logsumexp(np.array(pair), axis=0)
    return total
