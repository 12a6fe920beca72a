"""Deep Boltzmann machines by brute force: every joint state of every layer in a table.

Nothing here comes from the package: a machine is the oracle's parts, one a layer, and plain matrices between neighbours.
"""

import itertools
from dataclasses import dataclass

import numpy as np
import torch

import harmonium as hm
from tests import oracle
from tests.models.machines import allowed, made, parts, randomise


@dataclass(frozen=True)
class Deep:
    """`layers`: of each the oracle's parts; `weights`: between each two neighbours, (lower statistic, upper statistic)."""

    layers: tuple[tuple[oracle.Part, ...], ...]
    weights: tuple[np.ndarray, ...]


def dbm(*kinds, seed=0, size=0.7):
    """A random float64 machine of layers of these kinds (or the layers themselves), well inside what can be normalised."""
    model = hm.DBM([made(kind) for kind in kinds]).double()
    draw = np.random.default_rng([seed, len(kinds)])
    for unit in model.layers:
        randomise(unit, draw, size)
    for link, (below, above) in zip(model.couplings, itertools.pairwise(model.layers), strict=True):
        link.weight.data = torch.tensor(allowed(draw.normal(size=link.weight.shape), below, above, size))
    return model


def plain(model):
    """The machine as plain arrays."""
    weights = tuple(link.matrix().detach().double().numpy() for link in model.couplings)
    return Deep(tuple(parts(unit) for unit in model.layers), weights)


def energy(deep, states):
    """Of one state of each layer, unit by unit and pair by pair."""
    total = 0.0
    for layer, x in zip(deep.layers, states, strict=True):
        total += float(oracle.layer_energy(layer, np.asarray(x)[None])[0])
    for number, weight in enumerate(deep.weights):
        below = oracle.statistic(deep.layers[number], np.asarray(states[number])[None])[0]
        above = oracle.statistic(deep.layers[number + 1], np.asarray(states[number + 1])[None])[0]
        for i, j in np.ndindex(*weight.shape):
            total -= below[i] * weight[i, j] * above[j]
    return total


@dataclass(frozen=True)
class Table:
    """`states`: of each layer, (states of the layer, units). `log_p`: -E and the log measures, with one axis a layer."""

    states: tuple[np.ndarray, ...]
    log_p: np.ndarray


def table(deep, v=None):
    """All joint states; with `v`, (cases, units), the data's layer has these in place of all its own, without a measure."""
    states, total, axes = [], 0.0, len(deep.layers)
    for number, layer in enumerate(deep.layers):
        x, measure = (v, np.zeros(len(v))) if number == 0 and v is not None else oracle.table(layer)
        states.append(x)
        shape = [1] * axes
        shape[number] = len(x)
        total = total + (measure - oracle.layer_energy(layer, x)).reshape(shape)
    for number, weight in enumerate(deep.weights):
        below, above = (oracle.statistic(deep.layers[number + k], states[number + k]) for k in (0, 1))
        shape = [1] * axes
        shape[number], shape[number + 1] = len(below), len(above)
        total = total + (below @ weight @ above.T).reshape(shape)
    return Table(tuple(states), total)


def log_z(deep):
    return float(oracle.logsumexp(table(deep).log_p))


def log_likelihood(deep, v):
    """Of each case, every hidden state summed out: (cases,)."""
    log_p = table(deep, v).log_p
    return oracle.logsumexp(log_p.reshape(len(v), -1), axis=1) - log_z(deep)


def bound(deep, v, inputs):
    """E_q[-E] - E_q[log q] - log Z with q made of hidden layers of these inputs, each (cases, statistic), summed over all states."""
    joint, found = table(deep, v), []
    total = log_z(deep)
    for case in range(len(v)):
        log_p, log_q = joint.log_p[case], np.zeros(())
        for number, (layer, input) in enumerate(zip(deep.layers[1:], inputs, strict=True)):
            x, measure = oracle.table(layer)
            own = measure - oracle.layer_energy(layer, x) + oracle.statistic(layer, x) @ input[case]
            own = own - oracle.logsumexp(own)
            shape = [1] * len(deep.layers[1:])
            shape[number] = len(x)
            log_q = log_q + own.reshape(shape)
        found.append((np.exp(log_q) * (log_p - log_q)).sum() - total)
    return np.array(found)


def marginal(joint, number):
    """E[s] of one layer's states under the whole table."""
    p = np.exp(joint.log_p - oracle.logsumexp(joint.log_p))
    axes = tuple(axis for axis in range(p.ndim) if axis != number)
    return p.sum(axes) @ joint.states[number]
