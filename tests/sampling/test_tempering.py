"""Parallel tempering leaves the joint distribution of all replicas as it is, swaps as often as it must, and finds every mode."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.sampling import gibbs, tempering
from harmonium.units import NOTHING, Given
from tests import oracle
from tests.models import test_couplings
from tests.models.machines import close, given, machine, plain

CHAINS = 20000
ERRORS = 4.5  # standard errors; some thousand comparisons
BETAS = (0.0, 0.3, 0.55, 1.0)
DISCRETE = [
    ("bernoulli", "bernoulli"),
    ("spin", "softmax"),
    ("binomial", "spin"),
    ("pooled", "bernoulli_softmax"),
    ("stepped", "bernoulli"),
    ("replicated", "bernoulli"),
]
REAL = [("bernoulli", "gaussian"), ("learnt_gaussian", "bernoulli"), ("softmax", "unbounded_stepped"), ("truncated", "bernoulli")]


def at(exact, beta):
    """The oracle's machine with its interaction scaled."""
    return replace(exact, weight=beta * exact.weight, visible_shift=beta * exact.visible_shift, hidden_shift=beta * exact.hidden_shift)


def of_rows(exact, v, h):
    """The interaction of each row of v with the same row of h."""
    s_v, s_h = oracle.statistic(exact.visible, v), oracle.statistic(exact.hidden, h)
    return np.einsum("ni,ij,nj->n", s_v, exact.weight, s_h) + (s_v * exact.visible_shift).sum(1) + (s_h * exact.hidden_shift).sum(1)


def exact_state(rbm, exact, side, betas=BETAS, seed=1):
    """Every replica drawn on its own from the exact distribution of its temperature."""
    draw, starts = np.random.default_rng(seed), []
    for beta in betas:
        v, _, p = oracle.joint_distribution(at(exact, beta))
        starts.append(v[draw.choice(len(v), CHAINS, p=p.sum(1) / p.sum())].reshape(CHAINS, *rbm.visible.shape))
    return tempering.from_states(torch.tensor(np.stack(starts)), betas, side)


def features(v, h, interaction):
    """Of rows of states: the states, all products of two, the interaction and its square."""
    both = np.concatenate([v, h], axis=1)
    i, j = np.tril_indices(both.shape[1])
    return np.concatenate([both, both[:, i] * both[:, j], interaction[:, None], interaction[:, None] ** 2], axis=1)


def exact_features(exact, beta):
    """At an inverse temperature, the mean of the features and of their squares; the interaction is that of the machine itself."""
    v, h, p = oracle.joint_distribution(at(exact, beta))
    rows, columns = (index.ravel() for index in np.indices(p.shape))
    found, p = features(v[rows], h[columns], of_rows(exact, v[rows], h[columns])), p.ravel() / p.sum()
    return p @ found, p @ found**2


def within(found, expected, square):
    """Means over the chains are the expected ones, in standard errors that are known exactly."""
    error = np.sqrt(np.maximum(square - expected**2, 0) / CHAINS)
    gap = np.abs(found - expected)
    assert (gap <= ERRORS * error + 1e-9).all(), f"{(gap / np.maximum(error, 1e-12)).max():.3g} standard errors"


def stays(rbm, exact, side):
    """Three steps from the exact joint: the moments of each replica, and of each two replicas, which are independent, stay."""
    state, generator = exact_state(rbm, exact, side), torch.Generator().manual_seed(2)
    for _ in range(3):
        state, info = tempering.step(rbm, state, generator=generator)
        assert bool((info.swapped.double().mean(1) > 0.05).all())
    assert bool((info.acceptance.mean(1) < 0.98).all())
    found = [features(v, h, of_rows(exact, v, h)) for v, h in zip(state.v.flatten(2).numpy(), info.h.flatten(2).numpy(), strict=True)]
    known = [exact_features(exact, beta) for beta in BETAS]
    for one, (mean, square) in zip(found, known, strict=True):
        within(one.mean(0), mean, square)
    kept = [*range(state.v[0, 0].numel() + info.h[0, 0].numel()), -2]  # the states and the interaction: none of these is rare
    for i, j in itertools.combinations(range(len(BETAS)), 2):
        (mean_i, square_i), (mean_j, square_j) = ((one[kept] for one in known[number]) for number in (i, j))
        products = found[i][:, kept].T @ found[j][:, kept] / CHAINS
        within(products, np.outer(mean_i, mean_j), np.outer(square_i, square_j))


@pytest.mark.parametrize(("visible", "hidden"), [*DISCRETE, *REAL])
def test_the_joint_distribution_of_the_replicas_stays(visible, hidden):
    """Where visible units are real the start is a table of quadrature nodes: as in the test of Gibbs sampling, what follows is exact."""
    rbm = machine(visible, hidden, seed=11, size=1.2)
    stays(rbm, plain(rbm), given(rbm.visible, CHAINS))


@pytest.mark.parametrize(("visible", "hidden", "wiring"), [("bernoulli", "bernoulli", "low rank"), ("spin", "bernoulli", "conditional")])
def test_it_stays_through_other_couplings(visible, hidden, wiring):
    """A context's dynamic biases are part of the interaction."""
    rbm = test_couplings.coupled(visible, hidden, wiring)
    for parameter in rbm.coupling.parameters():
        parameter.data *= 2
    context = torch.tensor([0.8, -1.1], dtype=torch.float64) if wiring == "conditional" else None
    stays(rbm, test_couplings.plain(rbm, context), NOTHING if context is None else Given(context=context.expand(CHAINS, -1)))


@pytest.mark.parametrize(("visible", "hidden"), DISCRETE)
def test_swaps_are_accepted_as_often_as_they_must(visible, hidden):
    """Of exact replicas the mean acceptance of each pair is Σ p_i(x) p_j(y) min(1, p_i(y) p_j(x) / p_i(x) p_j(y)) over the tables."""
    rbm = machine(visible, hidden, seed=11, size=1.2)
    exact = plain(rbm)
    _, info = tempering.step(rbm, exact_state(rbm, exact, given(rbm.visible, CHAINS)), generator=torch.Generator().manual_seed(3))
    for pair, (i, j) in enumerate(itertools.pairwise(BETAS)):
        p, q = (oracle.joint_distribution(at(exact, beta))[2].ravel() for beta in (i, j))
        stay, swap = np.outer(p, q), np.outer(q, p)
        ratio = np.minimum(1, swap / stay)
        mean = (stay * ratio).sum()
        error = np.sqrt(((stay * ratio**2).sum() - mean**2) / CHAINS)
        assert abs(info.acceptance[pair].mean().item() - mean) < ERRORS * error
        assert abs(info.swapped[pair].double().mean().item() - mean) < ERRORS * np.sqrt(mean * (1 - mean) / CHAINS)


def followed(places, swaps):
    """Who stands where after each row of swaps (steps, pairs), and the round trips of each walker, by moving them one at a time."""
    order, trips, been_cold, been_hot = list(range(places)), [0] * places, [False] * places, [False] * places
    been_cold[order[-1]] = True
    for row in swaps:
        for pair in [*range(0, places - 1, 2), *range(1, places - 1, 2)]:
            if row[pair]:
                order[pair], order[pair + 1] = order[pair + 1], order[pair]
        hot, cold = order[0], order[-1]
        been_hot[hot] = been_hot[hot] or been_cold[hot]
        trips[cold] += been_hot[cold]
        been_cold[cold], been_hot[cold] = True, False
    return order, trips


def test_round_trips_where_every_swap_is_accepted():
    """Without weights three walkers go round: each step takes those at (hot, middle, cold) to (cold, hot, middle)."""
    rbm, generator = machine("bernoulli", "bernoulli"), torch.Generator().manual_seed(0)
    rbm.coupling.weight.data.zero_()
    state, orders, trips = tempering.init(rbm, 5, 3, generator=generator), [], []
    for _ in range(7):
        state, info = tempering.step(rbm, state, generator=generator)
        assert bool(info.swapped.all())
        assert bool((info.acceptance == 1).all())
        orders.append(state.identity[:, 0].tolist())
        trips.append(int(state.round_trips[:, 0].sum()))
    assert orders == [[1, 2, 0], [2, 0, 1], [0, 1, 2]] * 2 + [[1, 2, 0]]
    assert trips == [0, 0, 1, 2, 3, 4, 5]
    assert followed(3, [[True, True]] * 7) == (orders[-1], [2, 1, 2])


@pytest.mark.parametrize("replicas", [2, 3, 4, 5])
def test_round_trips_follow_the_swaps(replicas):
    rbm, generator, chains = machine("bernoulli", "bernoulli", seed=4, size=1.5), torch.Generator().manual_seed(5), 6
    state, swaps = tempering.init(rbm, chains, replicas, generator=generator), []
    for _ in range(60):
        state, info = tempering.step(rbm, state, generator=generator)
        swaps.append(info.swapped)
    total = 0
    for chain in range(chains):
        order, trips = followed(replicas, torch.stack(swaps)[..., chain].tolist())
        assert state.identity[:, chain].tolist() == order
        assert state.round_trips[:, chain].tolist() == [trips[walker] for walker in order]
        total += sum(trips)
    assert total > 2 * chains


def planted():
    """Eight spins that agree, up in 0.69 of all cases: E = -1.2 Σ_ij v_i h_j - 0.05 Σ_i v_i."""
    rbm = hm.RBM(hm.Spin(8), hm.Spin(2)).double()
    rbm.coupling.weight.data.fill_(1.2)
    rbm.visible.bias.data.fill_(0.05)
    return rbm


def test_both_modes_are_found_where_gibbs_sampling_stays_in_one():
    rbm, chains, generator = planted(), 500, torch.Generator().manual_seed(6)
    v, p = oracle.visible_distribution(plain(rbm))
    up = p[v.sum(1) > 0].sum() / p.sum()
    assert 0.6 < up < 0.75
    alone = gibbs.GibbsState(torch.ones(chains, 8, dtype=torch.float64))
    state = tempering.from_states(torch.ones(8, chains, 8, dtype=torch.float64), 8)
    for _ in range(150):
        alone, _ = gibbs.step(rbm, alone, generator=generator)
        state, _ = tempering.step(rbm, state, generator=generator)
    assert bool((alone.v.sum(1) > 0).all())
    found = (state.v[-1].sum(1) > 0).double().mean().item()
    assert abs(found - up) < 4 * np.sqrt(up * (1 - up) / chains)
    assert state.round_trips.sum() > 3 * chains


def rates(rbm, betas, steps=80, seed=7):
    """Each pair's mean acceptance, after as many steps of warming up."""
    generator = torch.Generator().manual_seed(seed)
    state, found = tempering.init(rbm, 200, betas, generator=generator), []
    for number in range(2 * steps):
        state, info = tempering.step(rbm, state, generator=generator)
        if number >= steps:
            found.append(info.acceptance.mean(1))
    return torch.stack(found).mean(0)


def test_adapted_temperatures_swap_evenly():
    rbm, betas = planted(), torch.linspace(0, 1, 6, dtype=torch.float64)
    before = rates(rbm, betas)
    for _ in range(3):
        betas = tempering.adapt(betas, rates(rbm, betas))
    after = rates(rbm, betas, seed=8)
    assert betas[0] == 0
    assert betas[-1] == 1
    assert before.max() - before.min() > 0.3
    assert after.max() - after.min() < 0.1
    more = tempering.adapt(betas, after, target=0.8)
    assert len(more) > len(betas)
    assert (rates(rbm, more) - 0.8).abs().max() < 0.1


def test_adapting_by_hand():
    """Of two pairs rejected at 0.6 and 0.2 the barrier is 0.8; its middle lies two thirds up the first. All swaps: nothing moves."""
    close(tempering.adapt(torch.tensor([0.0, 0.3, 1.0]), torch.tensor([0.4, 0.8])), [0, 0.2, 1], 1e-7)
    close(tempering.adapt(torch.tensor([0.0, 0.3, 1.0]), torch.tensor([0.4, 0.8]), target=0.8), [0, 0.1, 0.2, 0.3, 1], 1e-7)
    close(tempering.adapt(torch.tensor([0.0, 0.3, 1.0]), torch.tensor([0.4, 0.8]), replicas=5), [0, 0.1, 0.2, 0.3, 1], 1e-7)
    close(tempering.adapt(torch.tensor([0.25, 1.0]), torch.tensor([1.0])), [0.25, 1], 0)
    close(tempering.adapt(torch.tensor([0.0, 0.5, 1.0]), torch.ones(2)), [0, 0.5, 1], 1e-12)


def test_every_replica_shares_what_its_chain_is_given():
    """Documents keep their lengths, absent units stay off, from the first draw on."""
    documents, generator = machine("replicated", "bernoulli", seed=2), torch.Generator().manual_seed(3)
    lengths = torch.tensor([1.0, 4, 9, 2], dtype=torch.float64)
    state = tempering.init(documents, 4, 3, generator=generator, given=Given(length=lengths))
    rbm, present = machine("spin", "bernoulli"), torch.tensor([[True, False, True], [False, True, True]])
    gapped = tempering.init(rbm, 2, 3, generator=generator, given=Given(present=present))
    for _ in range(4):
        assert bool((state.v.sum(-1) == lengths).all())
        assert bool(((gapped.v != 0) == present).all())
        state, _ = tempering.step(documents, state, generator=generator)
        gapped, _ = tempering.step(rbm, gapped, generator=generator)


def test_missing_values_alone_move():
    rbm, generator = machine("bernoulli", "bernoulli", seed=9), torch.Generator().manual_seed(9)
    missing = torch.tensor([True, False, True]).expand(50, -1)
    start = tempering.init(rbm, 50, 4, generator=generator)
    seen = torch.rand(50, 3, generator=generator).double().round()
    state = tempering.from_states(torch.where(missing, start.v, seen), 4, Given(missing=missing))
    for _ in range(10):
        before, (state, _) = state, tempering.step(rbm, state, generator=generator)
        assert bool((state.v[..., 1] == seen[:, 1]).all())
    assert bool((state.v != before.v).any())


def test_a_step_leaves_its_argument_alone_and_repeats_with_its_seed():
    rbm = hm.RBM(hm.Bernoulli((2, 2)), hm.Bernoulli(3), seed=1)
    state = tempering.init(rbm, 10, generator=torch.Generator().manual_seed(0))
    kept = replace(state, **{name: field.clone() for name, field in vars(state).items() if isinstance(field, torch.Tensor)})
    first, info = tempering.step(rbm, state, generator=torch.Generator().manual_seed(1))
    again, _ = tempering.step(rbm, state, generator=torch.Generator().manual_seed(1))
    for name, field in vars(kept).items():
        assert not isinstance(field, torch.Tensor) or torch.equal(getattr(state, name), field), name
        assert not isinstance(field, torch.Tensor) or torch.equal(getattr(first, name), getattr(again, name)), name
    assert first.v.shape == (11, 10, 2, 2)
    assert first.v.dtype == torch.float32
    assert info.h.shape == (11, 10, 3)
    assert info.acceptance.shape == info.swapped.shape == (10, 10)


def test_refusals():
    rbm, generator = machine("bernoulli", "bernoulli"), torch.Generator()
    for betas in (1, [1.0], [0.0, 0.5], [0.0, 0.5, 0.5, 1.0], [-0.1, 1.0]):
        with pytest.raises(ValueError, match="at least two inverse temperatures"):
            tempering.init(rbm, 3, betas, generator=generator)
    with pytest.raises(ValueError, match="one set of states"):
        tempering.from_states(torch.zeros(3, 5, 3), 4)
    with pytest.raises(TypeError, match="a tempered distribution"):
        tempering.init(hm.RBM(hm.Bernoulli(3), hm.NoisyReLU(2)), 3, generator=generator)
    for rate in ([0.5], [0.5, 1.2]):
        with pytest.raises(ValueError, match="one rate between 0 and 1"):
            tempering.adapt(torch.tensor([0.0, 0.5, 1.0]), torch.tensor(rate))
    with pytest.raises(ValueError, match="wanted swap rate"):
        tempering.adapt(torch.tensor([0.0, 1.0]), torch.tensor([0.5]), target=1.0)
    for settings in ({"replicas": 1}, {"replicas": 3, "target": 0.5}):
        with pytest.raises(ValueError, match="at least two replicas"):
            tempering.adapt(torch.tensor([0.0, 1.0]), torch.tensor([0.5]), **settings)
