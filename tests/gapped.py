"""Cases with gaps by brute force: the states that agree with what was seen, from the oracle's tables."""

import itertools

import numpy as np

from tests import oracle
from tests.models.machines import LAYERS

KINDS = ["bernoulli", "softmax", "gaussian", "learnt_gaussian", "bernoulli_softmax", "gaussian_bernoulli"]


def pieces(exact):
    """For each independent piece of the visible layer its places in the layer, and its states with their log measures."""
    start = 0
    for part in exact.visible:
        for places, states in oracle.columns(part):
            yield [start + place for place in places], states
        start += len(part.bias)


def mask(exact, cases, seed=0, share=0.5):
    """Random gaps, (cases, visible), in which what is one choice stands or falls together; the first two rows without any and with all."""
    draw, found = np.random.default_rng(seed), np.zeros((cases, sum(len(part.bias) for part in exact.visible)), dtype=bool)
    for places, _ in pieces(exact):
        found[:, places] = (draw.random(cases) < share)[:, None]
    found[0], found[1:2] = False, True
    return found


def completions(exact, v, gaps):
    """The visible states that agree with v where there is no gap, (states, visible), and the log measure of each."""
    choices = [(places, states if gaps[places[0]] else [(tuple(v[places]), 0.0)]) for places, states in pieces(exact)]
    rows, measure = [], []
    for chosen in itertools.product(*(states for _, states in choices)):
        row = np.zeros(len(v))
        for (places, _), (values, _) in zip(choices, chosen, strict=True):
            row[places] = values
        rows.append(row)
        measure.append(sum(log_measure for _, log_measure in chosen))
    return np.array(rows), np.array(measure)


def log_seen(exact, v, gaps):
    """log Σ exp(-F(v)) over the values in the gaps, of one case."""
    rows, measure = completions(exact, v, gaps)
    return float(oracle.logsumexp(measure - oracle.free_energy(exact, rows)))


def posterior(exact, v, gaps):
    """p(v_missing | v_seen) of one case: the states, and their probabilities (of nodes, where they are real)."""
    rows, measure = completions(exact, v, gaps)
    log_p = measure - oracle.free_energy(exact, rows)
    return rows, np.exp(log_p - oracle.logsumexp(log_p))


assert set(KINDS) <= set(LAYERS)
