"""Gibbs sampling leaves the joint distribution of named pairs as it is, every kind of unit among them."""

import numpy as np
import pytest
import torch

from harmonium.units import NOTHING, Given
from tests import oracle
from tests.models import test_couplings
from tests.models.machines import EVERY, given, kind_of, leaves, machine, made, plain

CHAINS = 20000
ERRORS = 4.5  # standard errors; about two hundred comparisons
NAMED = [
    ("spin", "bernoulli"),
    ("binomial", "gaussian"),
    ("stepped", "spin"),
    ("unbounded_stepped", "truncated"),
    ("poisson", "binomial"),
    ("exponential", "poisson"),
    ("truncated", "gaussian"),
    ("learnt_truncated", "stepped"),
    ("softmax", "unbounded_stepped"),
    ("pooled", "softmax"),
    ("learnt_gaussian", "pooled"),
    ("bernoulli", "exponential"),
    ("replicated", "bernoulli"),
    ("poisson_truncated_stepped", "exponential_gaussian_spin"),
]


def moments(x, y):
    """Of rows of two layers' states, side by side: each mean, each product of two."""
    both = np.concatenate([x, y], axis=1)
    i, j = np.tril_indices(both.shape[1])
    return np.concatenate([both, both[:, i] * both[:, j]], axis=1)


@pytest.mark.parametrize(("visible", "hidden"), NAMED)
def test_the_joint_distribution_stays(visible, hidden):
    rbm = machine(visible, hidden, seed=11)
    stays(rbm, plain(rbm), given(rbm.visible, CHAINS))


@pytest.mark.parametrize(
    ("visible", "hidden", "wiring"),
    [("gaussian", "bernoulli", "low rank"), ("poisson", "bernoulli", "convolutional"), ("bernoulli", "exponential", "conditional")],
)
def test_it_stays_through_every_coupling(visible, hidden, wiring):
    """With a context the distribution is that under this context."""
    rbm = test_couplings.coupled(visible, hidden, wiring)
    context = torch.tensor([0.8, -1.1], dtype=torch.float64) if wiring == "conditional" else None
    stays(rbm, test_couplings.plain(rbm, context), NOTHING if context is None else Given(context=context.expand(CHAINS, -1)))


def stays(rbm, exact, side):
    """Chains begin at the oracle's table, drawn by its exact probabilities, and make three sweeps.

    Where visible units are real the table is one of quadrature nodes: these stand for p(v) in every smooth average, so that the
    hidden states of the first half sweep are exactly distributed, and all that follows too.
    """
    draw, generator = np.random.default_rng(1), torch.Generator().manual_seed(2)
    v, h, p = oracle.joint_distribution(exact)
    start = torch.tensor(v[draw.choice(len(v), CHAINS, p=p.sum(1) / p.sum())]).reshape(CHAINS, *rbm.visible.shape)
    last = rbm.gibbs(start, steps=3, generator=generator, given=side)
    above = rbm.sample_hidden(last, generator=generator, given=side)
    assert (last != start).flatten(1).any(dim=1).double().mean() > 0.1
    found = moments(last.flatten(1).numpy(), above.flatten(1).numpy())
    expected, error = exact_moments(v, h, p)
    error /= np.sqrt(CHAINS)
    gap = np.abs(found.mean(0) - expected)
    assert (gap <= ERRORS * error + 1e-9).all(), f"{(gap / np.maximum(error, 1e-12)).max():.3g} standard errors"
    assert (error < 0.05 * np.maximum(1, np.abs(expected))).all()


def exact_moments(v, h, p):
    """The expectation and standard deviation of each of the moments under the table."""
    first, second = 0.0, 0.0
    for row, share in zip(v, p, strict=True):
        terms = moments(np.broadcast_to(row, (len(h), len(row))), h)
        first, second = first + share @ terms, second + share @ terms**2
    return first, np.sqrt(np.maximum(second - first**2, 0))


def test_every_kind_is_among_them():
    seen = {kind_of(leaf) for pair in NAMED for kind in pair for leaf in leaves(made(kind))}
    assert seen == {kind_of(leaf) for kind in EVERY for leaf in leaves(made(kind))}
