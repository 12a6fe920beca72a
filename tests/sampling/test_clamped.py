"""Clamped Gibbs sampling keeps what was seen, leaves p(v_missing | v_seen) as it is, and reaches it."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

import harmonium as hm
from harmonium.sampling import clamped
from harmonium.units import Given
from tests import gapped
from tests.models.machines import close, machine, plain, samples

CHAINS = 20000
DISCRETE = [("bernoulli", "bernoulli"), ("softmax", "bernoulli"), ("bernoulli_softmax", "gaussian"), ("bernoulli", "softmax")]
GAPS = {
    "bernoulli": [True, False, True],
    "softmax": [True] * 3 + [False] * 3,
    "bernoulli_softmax": [True, False, True, True, True],
    "gaussian": [True, False],
    "gaussian_bernoulli": [True, False, True],
}


def case(visible, hidden):
    """A machine, one case with gaps, the mask, and the exact conditional: its states and their probabilities."""
    rbm, gaps = machine(visible, hidden, seed=5, size=1.2), np.array(GAPS[visible])
    v = samples(rbm.visible, 1, 1)[0]
    return rbm, v, gaps, *gapped.posterior(plain(rbm), v, gaps)


def holed(v, gaps):
    return torch.tensor(np.where(gaps, math.nan, v)).expand(CHAINS, -1)


def chi_square(states, p, found):
    """The p-value of the empirical distribution under the enumerated one; fails where anything else was found."""
    places = {tuple(row): n for n, row in enumerate(states)}
    counts = np.bincount([places[tuple(row)] for row in found.numpy()], minlength=len(states))
    return stats.chisquare(counts, p / p.sum() * len(found)).pvalue


@pytest.mark.parametrize(("visible", "hidden"), DISCRETE)
def test_the_exact_conditional_stays(visible, hidden):
    rbm, _, gaps, states, p = case(visible, hidden)
    start = torch.tensor(states[np.random.default_rng(0).choice(len(states), CHAINS, p=p / p.sum())])
    state, generator = clamped.GibbsState(start, Given(missing=torch.tensor(gaps))), torch.Generator().manual_seed(1)
    for _ in range(3):
        state, _ = clamped.step(rbm, state, generator=generator)
    assert chi_square(states, p, state.v) > 1e-3


@pytest.mark.parametrize(("visible", "hidden"), DISCRETE)
def test_chains_from_the_biases_reach_it(visible, hidden):
    rbm, v, gaps, states, p = case(visible, hidden)
    generator, missing = torch.Generator().manual_seed(2), torch.tensor(gaps)
    start = clamped.init(rbm, holed(v, gaps), missing.expand(CHAINS, -1), generator=generator)
    assert chi_square(states, p, start.v) < 1e-6
    found = clamped.complete(rbm, holed(v, gaps), missing, steps=40, average=20, generator=generator)
    assert chi_square(states, p, found.v) > 1e-3


@pytest.mark.parametrize(("visible", "hidden"), [*DISCRETE, ("gaussian", "bernoulli"), ("gaussian_bernoulli", "softmax")])
def test_the_mean_estimates_that_of_the_conditional(visible, hidden):
    """Means of draws within four standard errors, and the averaged means nearer than single draws are."""
    rbm, v, gaps, states, p = case(visible, hidden)
    expected, spread = p @ states, np.sqrt(p @ (states - p @ states) ** 2)
    found = clamped.complete(rbm, holed(v, gaps), torch.tensor(gaps), steps=40, average=20, generator=torch.Generator().manual_seed(3))
    for rows in (found.v.numpy(), found.mean.numpy()):
        error = rows.std(0) / np.sqrt(CHAINS)
        assert (np.abs(rows.mean(0) - expected) <= 4 * error + 1e-9).all()
        assert (rows[:, ~gaps] == v[~gaps]).all()
    assert (found.mean.numpy().std(0)[gaps] < 0.6 * spread[gaps]).all()


def test_completion_takes_data_as_they_come():
    """Any type, one mask for all cases or each its own, replicas before the cases, context beside."""
    rbm = hm.RBM(hm.Bernoulli((2, 2)), hm.Bernoulli(3), seed=1)
    bits, mask = np.array([[[0, 1], [1, 9]]] * 5, dtype=np.uint8), torch.tensor([[False, False], [False, True]])
    kept = torch.tensor([[0.0, 1], [1, 0]])
    for data in (torch.tensor(bits), torch.tensor(bits).double(), torch.tensor(bits).expand(7, 5, 2, 2)):
        found = hm.sampling.complete(rbm, data, mask, steps=3, generator=torch.Generator().manual_seed(0))
        assert found.v.shape == found.mean.shape == data.shape
        assert found.v.dtype == torch.float32
        assert torch.equal(torch.where(mask, 0, found.v), kept.expand(data.shape))
        assert bool(((found.mean > 0) & (found.mean < 1))[..., 1, 1].all())
    grey = hm.RBM(hm.Bernoulli(2, values="probabilities"), hm.Bernoulli(3), seed=1)
    levels = torch.tensor([[51, 0]], dtype=torch.uint8)
    found = hm.sampling.complete(grey, levels, torch.tensor([False, True]), steps=2, generator=torch.Generator())
    assert found.v[0, 0].item() == pytest.approx(0.2)


@pytest.mark.parametrize("net", [False, True])
def test_images_and_masks_come_in_their_own_shape(net):
    """Of a layer of six units, as two by three pixels or in a row, in every mixture: the same draws, in the images' shape."""
    rbm = machine(hm.Bernoulli(6), "bernoulli", seed=2, size=1.2)
    model = hm.DBN([rbm, machine("bernoulli", "bernoulli", seed=3)]) if net else rbm
    flat, generator = torch.tensor(samples(rbm.visible, 4, 1)), torch.Generator()
    masks = torch.rand(4, 6, generator=generator.manual_seed(1)) < 0.5
    flat[masks] = math.nan

    def drawn(v, missing):
        return hm.sampling.complete(model, v, missing, steps=3, generator=generator.manual_seed(0))

    for each in (masks, torch.ones(6, dtype=torch.bool).scatter(0, torch.tensor([0, 4]), False)):
        v = torch.where(each, math.nan, torch.where(masks, 1.0, flat))
        expected, images, mask = drawn(v, each), v.reshape(4, 2, 3), each.reshape(*each.shape[:-1], 2, 3)
        for data, where in ((images, mask), (images, each), (v, mask), (images[:, None], mask.reshape(-1, 1, 2, 3))):
            found = drawn(data, where)
            assert found.v.shape == found.mean.shape == data.shape
            assert torch.equal(found.v.reshape(4, 6), expected.v)
            assert torch.equal(found.mean.reshape(4, 6), expected.mean)
    single = drawn(images[0], mask)
    assert single.v.shape == (2, 3)
    assert torch.equal(single.v[0, 0], flat[0, 0].nan_to_num(1.0))
    with pytest.raises(ValueError, match=r"must have the shape of the states, \(..., 6\), found \(3, 3\)"):
        drawn(images, torch.ones(3, 3))


def test_without_gaps_nothing_changes_and_the_seed_says_the_rest():
    rbm = machine("bernoulli", "bernoulli")
    v = torch.tensor(samples(rbm.visible, 9, 0))
    none = torch.zeros(3, dtype=torch.bool)
    found = hm.sampling.complete(rbm, v, none, steps=4, generator=torch.Generator())
    assert torch.equal(found.v, v)
    assert torch.equal(found.mean, v)
    first, again, other = (
        hm.sampling.complete(rbm, v, ~none, steps=4, generator=torch.Generator().manual_seed(seed)).v for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_step_is_that_of_the_machine():
    rbm, v, gaps, *_ = case("bernoulli", "bernoulli")
    state = clamped.init(rbm, holed(v, gaps), torch.tensor(gaps).expand(CHAINS, -1), generator=torch.Generator().manual_seed(0))
    before = state.v.clone()
    after, info = clamped.step(rbm, state, generator=torch.Generator().manual_seed(1))
    assert torch.equal(state.v, before)
    assert torch.equal(after.v, rbm.gibbs(before, generator=torch.Generator().manual_seed(1), given=state.given))
    close(info.visible_mean[:9], rbm.visible_mean(info.h[:9]).detach(), 1e-12)


def test_refusals():
    rbm, generator = machine("bernoulli", "bernoulli"), torch.Generator()
    v, mask = torch.zeros(4, 3, dtype=torch.float64), torch.tensor([True, False, False])
    for settings in ({"steps": 0}, {"steps": 3, "average": 4}, {"steps": 3, "average": 0}):
        with pytest.raises(ValueError, match="at least one sweep"):
            hm.sampling.complete(rbm, v, mask, generator=generator, **settings)
    with pytest.raises(ValueError, match="shape of the states"):
        hm.sampling.complete(rbm, v, mask[:2], steps=1, generator=generator)
    with pytest.raises(ValueError, match="ones and zeros"):
        hm.sampling.complete(rbm, v, mask * 2.0, steps=1, generator=generator)
    with pytest.raises(ValueError, match="NaN"):
        hm.sampling.complete(rbm, v.index_fill(1, torch.tensor([1]), math.nan), mask, steps=1, generator=generator)
    with pytest.raises(ValueError, match="one of the two masks"):
        hm.sampling.complete(rbm, v, mask, steps=1, generator=generator, given=Given(present=torch.ones(4, 3)))
    blocks = hm.RBM(hm.PooledBlocks(4, pool=(2,)), hm.Bernoulli(2))
    with pytest.raises(ValueError, match="all units of a block"):
        hm.sampling.complete(blocks, torch.zeros(1, 4), torch.tensor([True, False, False, False]), steps=1, generator=generator)
