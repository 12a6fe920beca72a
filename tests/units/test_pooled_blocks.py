"""Probabilistic max-pooling against a list of every allowed state."""

import itertools

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.units import Given
from tests.models.machines import close

LAYERS = {
    "line": (6, 3, (6,)),
    "channels": ((2, 4), (2,), (2, 1)),
    "image": ((1, 2, 4), (2, 2), (1, 1, 1)),
    "one": (3, 1, None),
}
kinds = pytest.mark.parametrize("kind", LAYERS)


def layer(kind):
    shape, pool, bias_shape = LAYERS[kind]
    unit = hm.PooledBlocks(shape, pool=pool, bias_shape=bias_shape).double()
    unit.bias.data = torch.tensor(np.random.default_rng(1).normal(size=unit.bias.shape))
    return unit


def block_places(unit):
    """Which units of the flattened layer make each block, in the order of the pooled map."""
    places, ahead = np.arange(np.prod(unit.shape)).reshape(unit.shape), len(unit.shape) - len(unit.pool)
    found = []
    for place in np.ndindex(*unit.output_shape):
        box = [slice(i * p, (i + 1) * p) for i, p in zip(place[ahead:], unit.pool, strict=True)]
        found.append(places[(*place[:ahead], *box)].flatten())
    return found


def enumerate_states(unit):
    """All flat states with at most one unit on in each block."""
    rows = []
    blocks = block_places(unit)
    for choice in itertools.product(*[[None, *block] for block in blocks]):
        row = np.zeros(int(np.prod(unit.shape)))
        row[[place for place in choice if place is not None]] = 1
        rows.append(row)
    return np.array(rows)


def distribution(unit, input):
    """The states and their probability under each input, (cases, states), with the log-partition."""
    states = enumerate_states(unit)
    bias = unit.bias.detach().expand(unit.shape).flatten().numpy()
    terms = (input.flatten(1).numpy() + bias) @ states.T
    log_z = np.log(np.exp(terms).sum(1))
    return states, np.exp(terms - log_z[:, None]), log_z


def inputs(unit, cases=4, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=(cases, *unit.shape)))


@kinds
def test_log_partition_mean_variance_and_mode(kind):
    unit = layer(kind)
    input = inputs(unit)
    states, p, log_z = distribution(unit, input)
    close(unit.log_partition(input), log_z, 1e-10)
    mean = p @ states
    close(unit.mean(input).flatten(1), mean, 1e-10)
    close(unit.variance(input).flatten(1), mean - mean**2, 1e-10)
    close(unit.mode(input).flatten(1), states[p.argmax(1)], 0)
    bias = unit.bias.detach().expand(unit.shape).flatten().numpy()
    close(unit.energy(torch.tensor(states).reshape(-1, *unit.shape)), -states @ bias, 1e-12)


@kinds
def test_samples_have_the_joint_distribution(kind):
    """Every joint state as often as it should be: a chi-square within five standard deviations."""
    unit, cases = layer(kind), 40000
    input = inputs(unit, 1)
    states, p, _ = distribution(unit, input)
    for mean in (None, unit.mean(input).expand(cases, *unit.shape)):
        drawn = unit.sample(input.expand(cases, *unit.shape), generator=torch.Generator().manual_seed(3), mean=mean)
        unit.check(drawn)
        codes = 2 ** np.arange(states.shape[1])
        counts = np.array([(drawn.flatten(1).numpy() @ codes == row @ codes).sum() for row in states])
        assert counts.sum() == cases
        chi = ((counts - cases * p[0]) ** 2 / (cases * p[0])).sum()
        freedom = len(states) - 1
        assert chi < freedom + 5 * np.sqrt(2 * freedom) + 5


@kinds
def test_each_state_is_listed_once(kind):
    unit = layer(kind)
    expected = enumerate_states(unit)
    assert unit.count == len(expected)
    found = unit.states(torch.arange(int(unit.count))).flatten(1).numpy()
    assert {tuple(row) for row in found} == {tuple(row) for row in expected}


@kinds
def test_the_largest_input_it_can_send(kind):
    unit = layer(kind)
    weights = torch.tensor(np.random.default_rng(2).normal(size=(int(np.prod(unit.shape)), 5)) - 0.3)
    close(unit.max_interaction(weights), (enumerate_states(unit) @ weights.numpy()).max(0), 1e-12)


@kinds
def test_the_pooled_map_and_the_way_back(kind):
    unit = layer(kind)
    input = inputs(unit)
    states, p, _ = distribution(unit, input)
    pooled = np.stack([states[:, block].sum(1) for block in block_places(unit)], 1)
    close(unit.output(torch.tensor(states).reshape(-1, *unit.shape)).flatten(1), pooled, 0)
    close(unit.output(unit.mean(input)).flatten(1), p @ pooled, 1e-12)
    assert unit.output(input).shape == (4, *unit.output_shape)

    bias = unit.bias.detach().expand(unit.shape).flatten().numpy()
    grid = np.random.default_rng(4).random((3, *unit.output_shape))
    expected = np.zeros((3, len(bias)))
    for n, block in enumerate(block_places(unit)):
        share = np.exp(bias[block]) / np.exp(bias[block]).sum()
        expected[:, block] = grid.reshape(3, -1)[:, [n]] * share
    close(unit.from_output(torch.tensor(grid)).flatten(1), expected, 1e-12)
    on = torch.tensor((grid > 0.5).astype(float))
    generator = torch.Generator().manual_seed(5)
    drawn = unit.from_output(on.expand(20000, *on.shape), generator)
    unit.check(drawn)
    assert torch.equal(unit.output(drawn), on.expand(20000, *on.shape))
    known = unit.from_output(on)
    error = 4.5 * torch.sqrt(known * (1 - known) / 20000)
    assert ((drawn.mean(0) - known).abs() <= error + 1e-9).all()
    soft = unit.from_output(torch.tensor(grid).expand(20000, *grid.shape), generator).flatten(2).mean(0).numpy()
    assert (np.abs(soft - expected) <= 4.5 * np.sqrt(expected * (1 - expected) / 20000)).all()


@kinds
@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_equal_autograd(kind, weighted):
    unit = layer(kind)
    input, x = inputs(unit), unit.sample(inputs(unit), generator=torch.Generator().manual_seed(0))
    weights = torch.tensor([0.1, 2.0, 0.0, 1.0], dtype=torch.float64) if weighted else None
    each = torch.ones(4, dtype=torch.float64) if weights is None else weights
    for value, found in (
        ((each * unit.energy(x)).sum(), unit.parameter_gradient(x, input, weights)),
        (-(each * unit.log_partition(input)).sum(), unit.mean_parameter_gradient(input, weights)),
    ):
        close(found["bias"], torch.autograd.grad(value, unit.bias)[0].numpy(), 1e-10)


def test_absent_units_leave_their_block_to_the_others():
    """The block of the rest, against the layer without those units."""
    unit = hm.PooledBlocks(4, pool=2).double()
    unit.bias.data = torch.tensor([0.3, -0.4, 0.9, 0.1], dtype=torch.float64)
    input = torch.tensor([[0.5, torch.nan, -0.2, 0.4]], dtype=torch.float64)
    given = Given(present=torch.tensor([[True, False, True, True]]))
    a, b, c = np.exp([0.8, 0.7, 0.5])
    close(unit.log_partition(input, given), [np.log((1 + a) * (1 + b + c))], 1e-12)
    close(unit.mean(input, given), [[a / (1 + a), 0, b / (1 + b + c), c / (1 + b + c)]], 1e-12)
    assert unit.mode(input, given).tolist() == [[1, 0, 1, 0]]
    many = Given(present=given.present.expand(20000, 4))
    drawn = unit.sample(input.expand(20000, 4), generator=torch.Generator().manual_seed(0), given=many)
    expected = unit.mean(input, given)[0]
    assert ((drawn.mean(0) - expected).abs() <= 4 * torch.sqrt(expected * (1 - expected) / 20000)).all()
    assert unit.energy(torch.tensor([[1.0, torch.nan, 0.0, 1.0]]).double(), given).item() == pytest.approx(-0.4)
    assert unit.mean_parameter_gradient(input, None, given)["bias"][1] == 0


@pytest.mark.parametrize("size", [-1e4, 1e4])
def test_extreme_inputs(size):
    unit = hm.PooledBlocks(4, pool=2)
    input = size * torch.tensor([[1.0, 0.9, 0.5, 0.4]])
    found = [unit.log_partition(input), unit.mean(input), unit.variance(input), unit.mode(input)]
    found += [unit.sample(input, generator=torch.Generator().manual_seed(0)), torch.autograd.grad(unit.log_partition(input), unit.bias)[0]]
    assert all(torch.isfinite(value).all() for value in found)
    close(unit.log_partition(input), [max(size * 1.5, 0)], 1e-6)


@kinds
def test_biases_start_at_the_base_rates(kind):
    unit = layer(kind)
    states, p, _ = distribution(unit, inputs(unit, 1) * (0 if unit.bias.shape != unit.shape else 1))
    draw = np.random.default_rng(0)
    data = states[draw.choice(len(states), p=p[0], size=3000)].reshape(-1, *unit.shape)
    fresh = hm.PooledBlocks(unit.shape, pool=unit.pool, bias_shape=unit.bias_shape).double()
    fresh.init_from(torch.tensor(data))
    shared = tuple(axis + 1 for axis, size in enumerate(unit.bias.shape) if size == 1 and unit.shape[axis] > 1)
    close(fresh.mean(fresh.zero_input()), np.broadcast_to(data.mean((0, *shared), keepdims=True)[0], unit.shape), 2e-3)
    fresh.init_from(torch.zeros(5, *unit.shape))
    assert torch.isfinite(fresh.bias).all()
    mean = unit.mean(inputs(unit, 1))[0].detach()
    close(unit.mean(unit.base_input(mean)), mean.numpy(), 1e-9)


@pytest.mark.parametrize(
    ("states", "message"),
    [
        ([[1.0, 1.0, 0.0, 0.0]], "at most one unit of a block.*found 2"),
        ([[0.5, 0.0, 0.0, 0.0]], "0 or 1, found 0.5"),
        ([[-1.0, 1.0, 0.0, 0.0]], "found -1"),
        ([[np.nan, 0.0, 0.0, 0.0]], "finite"),
        ([[0.0, 0.0, 0.0]], r"\(\.\.\., 4\)"),
    ],
)
def test_states_are_checked(states, message):
    with pytest.raises(ValueError, match=message):
        hm.PooledBlocks(4, pool=2).check(torch.tensor(states))
    hm.PooledBlocks(4, pool=2).check(torch.tensor([[1, 0, 0, 1]], dtype=torch.uint8))


@pytest.mark.parametrize(("shape", "pool"), [(5, 2), (4, (2, 2)), ((2, 4), 0), ((3, 4, 6), (3, 3)), ((2, 4), ())])
def test_blocks_must_divide_the_layer(shape, pool):
    with pytest.raises(ValueError, match="must divide"):
        hm.PooledBlocks(shape, pool=pool)


BELOW = {"dense": None, "convolutional": lambda: hm.Convolutional((1, 5, 5), 2, kernel=(2, 2), seed=1)}


@pytest.mark.parametrize("coupling", BELOW)
def test_a_stack_sees_the_pooled_map(coupling):
    data = (np.random.default_rng(0).random((60, 1, 5, 5)) < 0.4).astype(np.float32)
    pooled = hm.PooledBlocks((2, 4, 4), pool=(2, 2), bias_shape=(2, 1, 1))
    first = None if BELOW[coupling] is None else BELOW[coupling]()
    layers = [hm.Bernoulli((1, 5, 5), bias_shape=(1, 1, 1)), pooled, hm.Bernoulli(6)]
    dbn = hm.greedy(data, layers, couplings=[first, None], epochs=3, batch_size=20, progress=False)
    bottom, top = dbn.rbms
    assert top.visible.shape == (2, 2, 2)
    assert top.visible.values == "probabilities"
    means = bottom.hidden_mean(torch.tensor(data)).detach()
    seen = dbn.up(torch.tensor(data))
    close(seen, means.reshape(60, 2, 2, 2, 2, 2).sum((3, 5)).numpy(), 1e-5)
    generator = torch.Generator().manual_seed(0)
    sampled = dbn.up(torch.tensor(data), generator=generator)
    assert set(sampled.flatten().tolist()) <= {0.0, 1.0}
    for fantasy in (dbn.generate(7, steps=3, generator=generator), dbn.down(seen), dbn.down(sampled, generator=generator)):
        assert fantasy.shape[1:] == (1, 5, 5)
        assert ((fantasy >= 0) & (fantasy <= 1)).all()


def test_learning_raises_the_exact_likelihood():
    """Bars: of each half of the image at most one pixel pair is on, which pooled blocks fit."""
    draw = np.random.default_rng(0)
    data = np.kron(np.eye(3)[draw.integers(3, size=(200, 2))].reshape(200, -1), np.ones(2)).astype(np.float32)
    rbm = hm.RBM(hm.Bernoulli(12), hm.PooledBlocks(6, pool=3), seed=1)

    def likelihood():
        log_z = hm.likelihood.exact_log_z(rbm)
        return hm.likelihood.log_likelihood(rbm, torch.tensor(data), log_z=log_z).mean().item()

    rbm.visible.init_from(torch.tensor(data))
    before = likelihood()
    hm.fit(rbm, data, epochs=30, batch_size=20, optimizer=lambda g: hm.MomentumSGD(g, lr=0.05, momentum=0.9), progress=False)
    assert likelihood() > before + 2


def test_saved_with_its_blocks(tmp_path):
    hm.save(hm.RBM(hm.Bernoulli(2), hm.PooledBlocks((1, 2, 4), pool=(2, 2), bias_shape=(1, 1, 1))), tmp_path / "model")
    found = hm.load(tmp_path / "model").hidden
    assert found.arguments() == {"shape": (1, 2, 4), "pool": (2, 2), "bias_shape": (1, 1, 1)}
