"""Tiny machines of every pair of kinds with random parameters, and the same parameters as plain arrays for the oracle."""

import itertools

import numpy as np
import torch

import harmonium as hm
from tests import oracle

LAYERS = {
    "bernoulli": lambda: hm.Bernoulli(3),
    "gaussian": lambda: hm.Gaussian(2),
    "learnt_gaussian": lambda: hm.Gaussian(2, learn_variance=True),
    "softmax": lambda: hm.Softmax(2, categories=3),
    "bernoulli_softmax": lambda: hm.Groups(hm.Bernoulli(2), hm.Softmax(1, categories=3)),
    "gaussian_bernoulli": lambda: hm.Groups(hm.Gaussian(1, learn_variance=True), hm.Bernoulli(2)),
}
PAIRS = list(itertools.product(LAYERS, LAYERS))


def randomise(unit, draw, size=0.7):
    """Biases of a few tenths; variances between 0.7 and 1.5, different for each unit."""
    for part in unit.layers() if isinstance(unit, hm.Groups) else [unit]:
        part.bias.data = torch.tensor(size * draw.normal(size=part.bias.shape)).to(part.bias)
        if isinstance(part, hm.Gaussian):
            part.log_variance.data = torch.tensor(np.log(draw.uniform(0.7, 1.5, part.log_variance.shape))).to(part.bias)


def machine(visible, hidden, *, seed=0, size=0.7):
    """A random float64 RBM of two layers; real pairs have weights well inside what can be normalised."""
    draw = np.random.default_rng([seed, *map(ord, visible + hidden)])
    rbm = hm.RBM(*(LAYERS[kind]() if isinstance(kind, str) else kind for kind in (visible, hidden))).double()
    randomise(rbm.visible, draw, size)
    randomise(rbm.hidden, draw, size)
    both_real = "gaussian" in visible and "gaussian" in hidden
    rbm.coupling.weight.data = torch.tensor((0.2 if both_real else size) * draw.normal(size=rbm.coupling.weight.shape))
    return rbm


def parts(unit):
    """The layer as the oracle's plain arrays."""
    found = []
    for part in unit.layers() if isinstance(unit, hm.Groups) else [unit]:
        bias = part.bias.detach().double().expand(part.shape).flatten().numpy()
        if isinstance(part, hm.Gaussian):
            variance = part.log_variance.detach().double().exp().expand(part.shape).flatten().numpy()
            found.append(oracle.Part("gaussian", bias, variance=variance))
        elif isinstance(part, hm.Softmax):
            found.append(oracle.Part("softmax", bias, categories=part.categories))
        else:
            found.append(oracle.Part("bernoulli", bias))
    return tuple(found)


def plain(rbm):
    """The machine as the oracle's plain arrays."""
    return oracle.Machine(parts(rbm.visible), parts(rbm.hidden), rbm.coupling.weight.detach().double().numpy())


def samples(unit, cases, seed):
    """States of a layer, each unit drawn on its own, broadly spread: (cases, units) float64."""
    draw, columns = np.random.default_rng(seed), []
    for part in unit.layers() if isinstance(unit, hm.Groups) else [unit]:
        if isinstance(part, hm.Gaussian):
            columns.append(draw.normal(size=(cases, *part.shape)) * 1.3)
        elif isinstance(part, hm.Softmax):
            columns.append(np.eye(part.categories)[draw.integers(part.categories, size=(cases, part.groups))].reshape(cases, -1))
        else:
            columns.append(draw.integers(2, size=(cases, *part.shape)).astype(float))
    return np.concatenate(columns, axis=1) if len(columns) > 1 else columns[0]


def named(rbm, key):
    """The parameter that the oracle calls `key`, or None where it is a constant."""
    side, index, name = key
    module = getattr(rbm, side)
    if isinstance(module, hm.Groups):
        module = module.parts[index]
    return dict(module.named_parameters()).get(name)


def close(found, expected, tolerance=1e-5):
    """Agreement to tolerance · max(1, |value|)."""
    found, expected = (x.detach().double().numpy() if isinstance(x, torch.Tensor) else np.asarray(x) for x in (found, expected))
    assert found.shape == expected.shape
    error = np.abs(found - expected) / np.maximum(1, np.abs(expected))
    assert not np.isnan(error).any()
    assert error.max(initial=0) <= tolerance, f"off by {error.max():.3g}"
