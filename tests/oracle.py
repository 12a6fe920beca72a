"""Two-layer machines by brute force: every joint state in a table, real-valued units on a grid of quadrature nodes.

Nothing here comes from the package: parameters are plain arrays, energies are the textbook sums written as loops over units,
and every other number is a sum over the table. Counting units without end are listed as far as their probability goes; copies are
summed over one by one; documents are listed as sequences of words.

The rules of quadrature. The trapezium rule on a grid of step h converges like exp(-2 (πσ/h)²) for a Gaussian, so a step of 0.6 with
σ >= 0.75 is exact to about thirteen digits. A density on x >= 0 ends in a jump at zero, where that rule is poor: truncated Gaussian
units have Gauss-Legendre nodes from zero to eight standard deviations above the mean, exponential units Gauss-Laguerre nodes.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy import special

STEP, REACH = 0.6, 10.2
LEGENDRE, LAGUERRE = 26, 18  # nodes
LONGEST = 20  # how far endless rectified counts are listed
POISSON = 26  # how far Poisson counts are


@dataclass(frozen=True)
class Part:
    """Units of one kind.

    `bias`: (units,), log(rate) of exponential units; `variance`: (units,), of Gaussian and truncated Gaussian units; `categories`: of
    softmax groups; `copies`: of binomial and stepped units, None without end; `blocks`: the places of each block of pooled units;
    `length`: the number of words of a document.
    """

    kind: str
    bias: np.ndarray
    variance: np.ndarray | None = None
    categories: int = 0
    copies: int | None = None
    blocks: tuple[tuple[int, ...], ...] = ()
    length: int = 0


@dataclass(frozen=True)
class Machine:
    """`visible`, `hidden`: the parts of each layer, side by side; `weight`: (visible statistic, hidden statistic).

    `visible_shift`, `hidden_shift`: a context's additions to the inputs, of the statistics' sizes.
    """

    visible: tuple[Part, ...]
    hidden: tuple[Part, ...]
    weight: np.ndarray
    visible_shift: np.ndarray | float = 0.0
    hidden_shift: np.ndarray | float = 0.0

    def flipped(self) -> Machine:
        return Machine(self.hidden, self.visible, self.weight.T, self.hidden_shift, self.visible_shift)


def logsumexp(terms, axis=None):
    top = np.max(terms, axis=axis, keepdims=True)
    shifted = np.maximum(terms - top, -700)  # what underflows takes np.exp many times as long
    total = np.log(np.sum(np.exp(shifted, out=shifted), axis=axis, keepdims=True)) + top
    return total.squeeze() if axis is None else np.squeeze(total, axis)


@cache
def legendre():
    return np.polynomial.legendre.leggauss(LEGENDRE)


@cache
def laguerre():
    return np.polynomial.laguerre.laggauss(LAGUERRE)


def one_unit(part, unit):
    """The states of a unit that stands alone, each with its log measure: a list of ((value,), log measure)."""
    bias = part.bias[unit]
    if part.kind == "gaussian":
        return [((bias + x,), math.log(STEP)) for x in np.arange(-REACH, REACH + STEP / 2, STEP)]
    if part.kind == "truncated":
        nodes, weights = legendre()
        top = max(bias, 0.0) + 3 + 8 * math.sqrt(part.variance[unit])
        return [((top * (1 + x) / 2,), math.log(w * top / 2)) for x, w in zip(nodes, weights, strict=True)]
    if part.kind == "exponential":
        nodes, weights = laguerre()
        return [((x / math.exp(bias),), math.log(w) + x - bias) for x, w in zip(nodes, weights, strict=True)]
    if part.kind == "spin":
        return [((-1.0,), 0.0), ((1.0,), 0.0)]
    top = {"bernoulli": 1, "poisson": POISSON}.get(part.kind, LONGEST if part.copies is None else part.copies)
    return [((float(k),), 0.0) for k in range(top + 1)]


def columns(part):
    """What a part's joint states are made of: for each independent piece its places within the part, and its states and log measures."""
    units = len(part.bias)
    if part.kind == "softmax":
        one_hot = [(tuple(float(i == k) for i in range(part.categories)), 0.0) for k in range(part.categories)]
        return [(range(start, start + part.categories), one_hot) for start in range(0, units, part.categories)]
    if part.kind == "pooled":
        return [
            (block, [(tuple(float(i == k) for i in range(len(block))), 0.0) for k in range(len(block) + 1)])
            for block in part.blocks
            if block
        ]
    if part.kind == "words":
        sequences = itertools.product(range(units), repeat=part.length)
        return [(range(units), [(tuple(float(words.count(k)) for k in range(units)), 0.0) for words in sequences])]
    return [((unit,), one_unit(part, unit)) for unit in range(units)]


def table(parts):
    """All states of a layer, (states, units), and the log measure of each, which is that of a quadrature node for real units."""
    pieces, start = [], 0
    for part in parts:
        pieces += [([start + place for place in places], states) for places, states in columns(part)]
        start += len(part.bias)
    counts = [len(states) for _, states in pieces]
    chosen = np.indices(counts).reshape(len(counts), math.prod(counts))
    table_states, measure = np.zeros((chosen.shape[1], start)), np.zeros(chosen.shape[1])
    for (places, states), which in zip(pieces, chosen, strict=True):
        table_states[:, places] = np.array([values for values, _ in states])[which]
        measure += np.array([log_measure for _, log_measure in states])[which]
    return table_states, measure


@cache
def log_copies(copies, stepped):
    """log Σ over the settings of the copies of which k are on, of exp(Σ over those of the copy's offset), for k = 0, 1, ...

    The offsets are -0.5, -1.5, ... of a stepped unit's copies and 0 of a binomial one's. Without end: the same for eighty copies, whose
    generating function Π (1 + z e^offset) is multiplied out.
    """
    offsets = [-(i + 0.5) if stepped else 0.0 for i in range(80 if copies is None else copies)]
    if copies is None:
        coefficients = np.ones(1)
        for offset in offsets:
            coefficients = np.convolve(coefficients, [1.0, math.exp(offset)])[: LONGEST + 1]
    else:
        coefficients = np.zeros(copies + 1)
        for setting in itertools.product((0, 1), repeat=copies):
            coefficients[sum(setting)] += math.exp(np.dot(setting, offsets))
    return np.log(coefficients)


def unit_energy(part, unit, x):
    """The energy of one unit's states x, log base measure included: -b x but for these."""
    bias = part.bias[unit]
    if part.kind in ("gaussian", "truncated"):
        return (x - bias) ** 2 / (2 * part.variance[unit])
    if part.kind == "exponential":
        return math.exp(bias) * x
    if part.kind == "poisson":
        return special.gammaln(x + 1) - bias * x
    if part.kind in ("binomial", "stepped"):
        return -log_copies(part.copies, part.kind == "stepped")[x.round().astype(int)] - bias * x
    return -bias * x


def layer_energy(parts, states):
    """The units' energies, summed: (cases,)."""
    total, place = np.zeros(len(states)), 0
    for part in parts:
        for unit in range(len(part.bias)):
            total = total + unit_energy(part, unit, states[:, place])
            place += 1
    return total


def statistic(parts, states):
    """What meets the weights: the states, divided by the variance if real-valued, a document's length after its counts."""
    found, place = [np.zeros((len(states), 0))], 0
    for part in parts:
        x = states[:, place : place + len(part.bias)]
        found.append(x / part.variance if part.kind in ("gaussian", "truncated") else x)
        if part.kind == "words":
            found.append(x.sum(1, keepdims=True))
        place += len(part.bias)
    return np.concatenate(found, axis=1)


def energies(machine, v, h):
    """E of every pair of rows: (rows of v, rows of h)."""
    s_v, s_h = statistic(machine.visible, v), statistic(machine.hidden, h)
    alone_v = layer_energy(machine.visible, v) - (s_v * machine.visible_shift).sum(1)
    alone_h = layer_energy(machine.hidden, h) - (s_h * machine.hidden_shift).sum(1)
    found = -(s_v @ machine.weight) @ s_h.T
    found += alone_v[:, None]  # in place, as tables of real-valued pairs have millions of entries
    found += alone_h
    return found


def log_joint(machine, v, measure_v, h, measure_h):
    """-E of every pair of rows, plus their log measures."""
    found = energies(machine, v, h)
    np.subtract(measure_h, found, out=found)
    found += measure_v[:, None]
    return found


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
    return mean, np.array([p[n] @ (h - mean[n]) ** 2 for n in range(len(v))])


def log_z(machine):
    return float(logsumexp(log_joint(machine, *table(machine.visible), *table(machine.hidden))))


def visible_distribution(machine):
    """The visible states and p(v), times the measure of a node where they are real."""
    v, measure = table(machine.visible)
    return v, np.exp(measure - free_energy(machine, v) - log_z(machine))


def joint_distribution(machine):
    """The states of both layers and p(v, h), times the measures of the nodes: (visible states, hidden states)."""
    (v, measure_v), (h, measure_h) = table(machine.visible), table(machine.hidden)
    log_p = log_joint(machine, v, measure_v, h, measure_h)
    return v, h, np.exp(log_p - logsumexp(log_p))


def log_likelihood(machine, data):
    return -free_energy(machine, data) - log_z(machine)


def parameters(machine):
    """Every free number of a machine, by name: weight, then each part's bias (a rate's logarithm) and log-variance."""
    found = {("coupling", 0, "weight"): machine.weight}
    for side in ("visible", "hidden"):
        for index, part in enumerate(getattr(machine, side)):
            found[side, index, "log_rate" if part.kind == "exponential" else "bias"] = part.bias
            if part.kind in ("gaussian", "truncated"):
                found[side, index, "log_variance"] = np.log(part.variance)
    return found


def with_parameter(machine, key, value):
    side, index, name = key
    if side == "coupling":
        return replace(machine, weight=value)
    parts = list(getattr(machine, side))
    change = {"variance": np.exp(value)} if name == "log_variance" else {"bias": value}
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
    parts, place, rows = [], 0, []
    for part in machine.visible:
        kept = np.array(present[place : place + len(part.bias)], dtype=bool)
        place += len(part.bias)
        rows += [*kept, *[True] * (part.kind == "words")]
        if kept.any():
            new_place = np.cumsum(kept) - 1
            blocks = tuple(tuple(int(new_place[i]) for i in block if kept[i]) for block in part.blocks)
            variance = None if part.variance is None else part.variance[kept]
            parts.append(replace(part, bias=part.bias[kept], variance=variance, blocks=blocks))
    return replace(machine, visible=tuple(parts), weight=machine.weight[rows])


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


def convolution_matrix(kernels, shape, stride, padding):
    """The matrix of a convolution, (flattened image, flattened feature maps), place by place.

    `kernels`: (maps, channels, *kernel); `shape`: (channels, *image); `stride`, `padding`: one per axis of the image. Feature map m at
    place y sees through kernel[m, c, k] the pixel of channel c at y · stride - padding + k, where there is one.
    """
    image, kernel = shape[1:], kernels.shape[2:]
    maps = [(n + 2 * pad - size) // step + 1 for n, pad, size, step in zip(image, padding, kernel, stride, strict=True)]
    matrix = np.zeros((*shape, kernels.shape[0], *maps))
    for place in np.ndindex(*maps):
        for offset in np.ndindex(*kernel):
            pixel = tuple(y * step - pad + k for y, step, pad, k in zip(place, stride, padding, offset, strict=True))
            if all(0 <= x < n for x, n in zip(pixel, image, strict=True)):
                for channel, feature in itertools.product(range(shape[0]), range(kernels.shape[0])):
                    matrix[(channel, *pixel, feature, *place)] += kernels[(feature, channel, *offset)]
    return matrix.reshape(math.prod(shape), -1)
