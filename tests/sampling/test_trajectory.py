"""Tempering along a training trajectory leaves the joint distribution of all replicas as it is, and finds every mode."""

import copy
import itertools
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
import torch
from scipy import stats

import harmonium as hm
from harmonium.sampling import gibbs, trajectory
from harmonium.units import NOTHING, Given
from tests import oracle
from tests.models.machines import given, machine, plain
from tests.sampling.test_tempering import followed

CHAINS = 20000
ERRORS = 4.5  # standard errors; some hundred comparisons
DISCRETE = [
    ("bernoulli", "bernoulli"),
    ("spin", "softmax"),
    ("binomial", "spin"),
    ("bernoulli_softmax", "pooled"),
    ("bernoulli", "gaussian"),
    ("replicated", "bernoulli"),
]
REAL = [("learnt_gaussian", "bernoulli"), ("truncated", "bernoulli"), ("exponential", "spin")]


def path(visible, hidden, size=1.2):
    """Three machines on the way from one whose coupling is zero, their biases differing too."""
    last = machine(visible, hidden, seed=11, size=size)
    found = []
    for number, share in enumerate((0.0, 0.5, 1.0)):
        model = copy.deepcopy(last)
        draw = torch.Generator().manual_seed(number)
        with torch.no_grad():
            model.coupling.weight *= share
            for name, parameter in model.visible.named_parameters():
                if name.endswith("bias"):
                    parameter += 0.4 * (1 - share) * torch.randn(parameter.shape, generator=draw, dtype=torch.float64)
        found.append(model)
    return found


def tables(models):
    """Of each model its visible states and their exact probabilities."""
    return [(v, p / p.sum()) for v, p in (oracle.visible_distribution(plain(model)) for model in models)]


def exact_state(models, side, seed=1):
    """Every replica drawn on its own from the table of its model."""
    draw, shape = np.random.default_rng(seed), models[0].visible.shape
    starts = [v[draw.choice(len(v), CHAINS, p=p)].reshape(CHAINS, *shape) for v, p in tables(models)]
    return trajectory.from_states(torch.tensor(np.stack(starts)), side)


def moved(models, side, steps=3):
    state, generator = exact_state(models, side), torch.Generator().manual_seed(2)
    for _ in range(steps):
        state, info = trajectory.step(models, state, generator=generator)
        assert bool((info.swapped.double().mean(1) > 0.05).all())
        assert bool((info.acceptance.mean(1) < 0.99).all())
    return state


@pytest.mark.parametrize(("visible", "hidden"), DISCRETE)
def test_the_joint_distribution_of_the_replicas_stays(visible, hidden):
    """Chi-square of the joint states of each two replicas, and of all three, against the product of the exact tables."""
    models = path(visible, hidden)
    state, known = moved(models, given(models[0].visible, CHAINS)), tables(models)
    cells, exact = [], []
    for at, (v, p) in zip(state.v.flatten(2).numpy(), known, strict=True):
        rows, which = np.unique(v, axis=0, return_inverse=True)
        numbers = {tuple(row): number for number, row in enumerate(rows)}
        cells.append(np.array([numbers[tuple(row)] for row in at]))
        exact.append(np.bincount(which.ravel(), weights=p))
    for group in [(0, 1), (1, 2), (0, 2), (0, 1, 2)]:
        expected = exact[group[0]]
        for replica in group[1:]:
            expected = np.multiply.outer(expected, exact[replica])
        counts = np.zeros(expected.shape)
        np.add.at(counts, tuple(cells[replica] for replica in group), 1)
        expected, counts = CHAINS * expected.ravel(), counts.ravel()
        rare = expected < 8
        assert counts[rare].sum() <= expected[rare].sum() + 5 * np.sqrt(expected[rare].sum()) + 3
        counts, expected = (np.append(x[~rare], x[rare].sum()) for x in (counts, expected))
        kept = expected > 0
        assert stats.chisquare(counts[kept], expected[kept] * counts.sum() / expected.sum()).pvalue > 1e-4


@pytest.mark.parametrize(("visible", "hidden"), REAL)
def test_moments_of_real_valued_replicas_stay(visible, hidden):
    """The start is a table of quadrature nodes: these stand for p(v) in every smooth average."""
    models = path(visible, hidden, size=0.9)
    state = moved(models, NOTHING)
    for at, (v, p) in zip(state.v.numpy(), tables(models), strict=True):
        for power in (1, 2):
            mean, square = p @ v**power, p @ v ** (2 * power)
            assert (np.abs((at**power).mean(0) - mean) < ERRORS * np.sqrt((square - mean**2) / CHAINS)).all()
    for i, j in itertools.combinations(range(3), 2):  # replicas are independent
        correlations = np.corrcoef(state.v[i].numpy().T, state.v[j].numpy().T)[:2, 2:]
        assert np.abs(correlations).max() < ERRORS / np.sqrt(CHAINS)


@pytest.mark.parametrize(("visible", "hidden"), DISCRETE)
def test_swaps_are_accepted_as_often_as_they_must(visible, hidden):
    """Of exact replicas the mean acceptance is Σ p_i(x) p_j(y) min(1, p_i(y) p_j(x) / p_i(x) p_j(y)) over the tables."""
    models = path(visible, hidden)
    side = given(models[0].visible, CHAINS)
    _, info = trajectory.step(models, exact_state(models, side), generator=torch.Generator().manual_seed(3))
    state = exact_state(models, side, seed=4)
    for pair, ((_, p), (_, q)) in enumerate(itertools.pairwise(tables(models))):
        stay, swap = np.outer(p, q), np.outer(q, p)
        ratio = np.minimum(1, swap / stay)
        mean = (stay * ratio).sum()
        error = np.sqrt(((stay * ratio**2).sum() - mean**2) / CHAINS)
        assert abs(info.acceptance[pair].mean().item() - mean) < ERRORS * error
        assert abs(info.swapped[pair].double().mean().item() - mean) < ERRORS * np.sqrt(mean * (1 - mean) / CHAINS)
        alone = trajectory.acceptance(*models[pair : pair + 2], *state.v[pair : pair + 2], side)
        assert abs(alone.mean().item() - mean) < ERRORS * error


def test_equal_models_swap_always_and_walkers_go_round():
    models, generator = [machine("bernoulli", "bernoulli")] * 3, torch.Generator().manual_seed(0)
    state, orders, trips = trajectory.init(models, 5, generator=generator), [], []
    for _ in range(7):
        state, info = trajectory.step(models, state, generator=generator)
        assert bool(info.swapped.all())
        orders.append(state.identity[:, 0].tolist())
        trips.append(int(state.round_trips[:, 0].sum()))
    assert orders == [[1, 2, 0], [2, 0, 1], [0, 1, 2]] * 2 + [[1, 2, 0]]
    assert trips == [0, 0, 1, 2, 3, 4, 5]


def test_round_trips_follow_the_swaps():
    models, generator, chains = (
        [*path("bernoulli", "bernoulli", 2.0), machine("bernoulli", "bernoulli")],
        torch.Generator().manual_seed(5),
        6,
    )
    state, swaps = trajectory.init(models, chains, generator=generator), []
    for _ in range(60):
        state, info = trajectory.step(models, state, generator=generator)
        swaps.append(info.swapped)
    total = 0
    for chain in range(chains):
        order, trips = followed(4, torch.stack(swaps)[..., chain].tolist())
        assert state.identity[:, chain].tolist() == order
        assert state.round_trips[:, chain].tolist() == [trips[walker] for walker in order]
        total += sum(trips)
    assert total > chains


@cache
def learnt(negative):
    """A machine of two modes, the left half on in 70% of the data and the right half in the others, and its trajectory."""
    generator = torch.Generator().manual_seed(3)
    left = torch.rand(2000, 1, generator=generator) < 0.7
    ink = torch.where(left, torch.arange(12) < 6, torch.arange(12) >= 6)
    data = (ink ^ (torch.rand(2000, 12, generator=generator) < 0.02)).float()
    kept, rbm = hm.Trajectory(), hm.RBM(hm.Bernoulli(12), hm.Bernoulli(4), seed=1)
    make = partial(torch.optim.SGD, lr=0.1)
    hm.fit(rbm, data, negative=negative, epochs=50, optimizer=make, seed=4, callbacks=[kept], progress=False)
    return rbm, kept.models()


def leftness(v):
    return (v[..., :6].sum(-1) > v[..., 6:].sum(-1)).double()


def left_share(rbm):
    v, p = oracle.visible_distribution(plain(rbm))
    return p[v[:, :6].sum(1) > v[:, 6:].sum(1)].sum() / p.sum()


@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_both_learnt_modes_are_found_where_gibbs_sampling_stays_in_one():
    rbm, models = learnt(hm.PersistentCD(chains=100, sampler=hm.Tempering(betas=4)))
    share, chains, generator = left_share(rbm), 500, torch.Generator().manual_seed(6)
    assert 0.55 < share < 0.85
    models = [models[number] for number in trajectory.choose(models, target=0.3, generator=generator)]
    start = (torch.arange(12) >= 6).float().expand(chains, 12)  # the lesser mode
    alone, state = gibbs.GibbsState(start), trajectory.from_states(start.expand(len(models), chains, 12))
    for _ in range(150):
        alone, _ = gibbs.step(rbm, alone, generator=generator)
        state, _ = trajectory.step(models, state, generator=generator)
    assert leftness(alone.v).mean() < 0.02
    assert abs(leftness(state.v[-1]).mean().item() - share) < 4 * np.sqrt(share * (1 - share) / chains)
    assert state.round_trips.sum() > chains


@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_chosen_models_swap_about_as_often_as_wanted():
    """Of a machine whose persistent chains did not cross while learning, so that the modes' shares went up and down."""
    _, models = learnt(hm.PersistentCD(200))
    generator = torch.Generator().manual_seed(8)
    counts = []
    for target in (0.25, 0.6):
        numbers = trajectory.choose(models, target=target, generator=generator)
        assert numbers[0] == 0
        assert numbers[-1] == len(models) - 1
        assert all(i < j for i, j in itertools.pairwise(numbers))
        picked, found = [models[number] for number in numbers], []
        state = trajectory.init(picked, 300, generator=generator)
        for sweep in range(60):
            state, info = trajectory.step(picked, state, generator=generator)
            if sweep >= 20:
                found.append(info.acceptance.mean(1))
        rates = torch.stack(found).mean(0)
        assert rates.min() > 0.7 * target
        assert rates.mean() < target + 0.3
        counts.append(len(numbers))
    assert 2 < counts[0] < counts[1] < len(models)


def test_every_replica_shares_what_its_chain_is_given():
    models, generator = path("replicated", "bernoulli"), torch.Generator().manual_seed(3)
    lengths = torch.tensor([1.0, 4, 9, 2], dtype=torch.float64)
    state = trajectory.init(models, 4, generator=generator, given=Given(length=lengths))
    gapped_models, present = path("spin", "bernoulli"), torch.tensor([[True, False, True], [False, True, True]])
    gapped = trajectory.init(gapped_models, 2, generator=generator, given=Given(present=present))
    for _ in range(4):
        assert bool((state.v.sum(-1) == lengths).all())
        assert bool(((gapped.v != 0) == present).all())
        state, _ = trajectory.step(models, state, generator=generator)
        gapped, _ = trajectory.step(gapped_models, gapped, generator=generator)
    numbers = trajectory.choose(models, given=Given(length=torch.tensor(3.0)), chains=20, generator=generator)
    assert {0, 2} <= set(numbers)


def test_a_step_leaves_its_argument_alone_and_repeats_with_its_seed():
    models = [hm.RBM(hm.Bernoulli((2, 2)), hm.Bernoulli(3), seed=seed) for seed in range(3)]
    state = trajectory.init(models, 10, generator=torch.Generator().manual_seed(0))
    kept = replace(state, **{name: field.clone() for name, field in vars(state).items() if isinstance(field, torch.Tensor)})
    first, info = trajectory.step(models, state, steps=2, generator=torch.Generator().manual_seed(1))
    again, _ = trajectory.step(models, state, steps=2, generator=torch.Generator().manual_seed(1))
    for name, field in vars(kept).items():
        assert not isinstance(field, torch.Tensor) or torch.equal(getattr(state, name), field), name
        assert not isinstance(field, torch.Tensor) or torch.equal(getattr(first, name), getattr(again, name)), name
    assert first.v.shape == (3, 10, 2, 2)
    assert first.v.dtype == torch.float32
    assert info.acceptance.shape == info.swapped.shape == (2, 10)


def test_refusals():
    models, generator = path("bernoulli", "bernoulli"), torch.Generator()
    with pytest.raises(ValueError, match="at least 2 models, found 1"):
        trajectory.init(models[:1], 3, generator=generator)
    with pytest.raises(ValueError, match=r"the same layers and coupling: number 3 has the hidden .*Spin"):
        trajectory.init([*models, machine("bernoulli", "spin")], 3, generator=generator)
    far = path("gaussian", "gaussian")
    far[1].coupling.weight.data.fill_(5)
    with pytest.raises(ValueError, match="no partition function"):
        trajectory.init(far, 3, generator=generator)
    with pytest.raises(TypeError, match="a partition function"):
        trajectory.init([hm.RBM(hm.Bernoulli(3), hm.NoisyReLU(2))] * 2, 3, generator=generator)
    with pytest.raises(ValueError, match="one replica for each of 2 models, found 3"):
        trajectory.step(models[:2], trajectory.init(models, 3, generator=generator), generator=generator)
    with pytest.raises(ValueError, match="wanted swap rate"):
        trajectory.choose(models, target=0.0, generator=generator)
    with pytest.raises(ValueError, match="two chains"):
        trajectory.choose(models, chains=1, generator=generator)
