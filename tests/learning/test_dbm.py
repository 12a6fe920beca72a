"""Learning deep Boltzmann machines: the positive phase is the gradient of the variational bound; layers learnt one at a time."""

import copy
from functools import partial

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.files import read_tensors, write_tensors
from harmonium.models import composed, doubled
from tests import deep
from tests.learning.signal import contrastive_gradient
from tests.models.machines import close, samples
from tests.models.test_dbm import inputs

SETTLED = 400  # sweeps


def exact_update(model, v, weights=None, **settings):
    """What one step of `fit` at rate 1 along the exact gradient changes in every parameter: minus the gradient."""
    model = copy.deepcopy(model)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    hm.fit(
        model,
        v,
        negative=hm.ExactGradient(),
        epochs=1,
        batch_size=len(v),
        optimizer=partial(torch.optim.SGD, lr=1.0),
        sample_weight=weights,
        sweeps=SETTLED,
        progress=False,
        **settings,
    )
    return {name: parameter.detach() - before[name] for name, parameter in model.named_parameters()}


@pytest.mark.parametrize(
    "kinds",
    [
        ("bernoulli", "bernoulli", "bernoulli"),
        ("bernoulli", "bernoulli", "bernoulli", "bernoulli"),
        ("softmax", "bernoulli", "softmax"),
        ("learnt_gaussian", "bernoulli", "binomial"),
        ("bernoulli", "learnt_gaussian", "bernoulli"),
    ],
    ids="-".join,
)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_step_follows_the_gradient_of_the_bound(kinds, weighted):
    """By central differences of the enumerated bound, mean field settling anew at each: E_q[∂E/∂θ] is its slope where q is best."""
    model = deep.dbm(*kinds, seed=1)
    model.layers[0].bias.data += 0.1  # so that it does not start from the data
    v = samples(model.layers[0], 6, 2)
    weights = np.random.default_rng(3).uniform(0, 2, 6) if weighted else np.ones(6)
    found = exact_update(model, torch.tensor(v), weights if weighted else None, standardise=False)

    def bound():
        settled = inputs(model, model.mean_field(torch.tensor(v), sweeps=SETTLED))
        return weights @ deep.bound(deep.plain(model), v, settled) / weights.sum()

    step = 1e-4
    for name, parameter in model.named_parameters():
        flat = parameter.data.view(-1)
        for place in range(0, len(flat), 5):
            sides = []
            for sign in (1, -2):
                flat[place] += sign * step
                sides.append(bound())
            flat[place] += step
            slope = (sides[0] - sides[1]) / (2 * step)
            assert found[name].view(-1)[place].item() == pytest.approx(slope, abs=2e-5), name


def test_gaussian_data_in_another_unit_are_learnt_alike():
    """Steps in standard form, through the chain."""
    v = torch.tensor(np.random.default_rng(0).normal(size=(60, 2)) + np.array([1.0, -0.5]))
    found = []
    for factor in (1.0, 10.0):
        model = hm.DBM([hm.Gaussian(2, learn_variance=True), hm.Bernoulli(3), hm.Bernoulli(2)], seed=1).double()
        hm.fit(model, factor * v, negative=hm.ExactGradient(), epochs=10, batch_size=20, progress=False)
        found.append((model.mean_field(factor * v).phase.hidden_mean, model.layers[0].log_variance.detach() - 2 * np.log(factor)))
    for one, other in zip(*found, strict=True):
        close(one, other, 1e-6)


def test_a_learnt_variance_stays_near_that_of_the_data():
    """Within a factor of 1,000, of the data's layer alone."""
    v = torch.tensor(np.random.default_rng(0).normal(size=(60, 2)), dtype=torch.float32)
    model = hm.DBM([hm.Gaussian(2, variance=1e9, learn_variance=True), hm.Bernoulli(3), hm.Bernoulli(2)], seed=1)
    model.layers[0].bias.data += 0.1  # so that it does not start from the data
    hm.fit(model, v, epochs=1, optimizer=partial(torch.optim.SGD, lr=0.0), progress=False)
    close(model.layers[0].log_variance, v.var(0, correction=0).log() + np.log(1000), 1e-5)


def bars(cases, seed):
    """Two patterns of eight pixels, one of which each half of a case shows, with pixels that flip one time in ten."""
    draw = np.random.default_rng(seed)
    halves = [np.where(draw.integers(2, size=(cases, 1)), [1, 1, 0, 0], [0, 0, 1, 1]) for _ in range(2)]
    clean = np.concatenate(halves, axis=1)
    return torch.tensor(np.where(draw.random(clean.shape) < 0.1, 1 - clean, clean), dtype=torch.float32)


def layers():
    return [hm.Bernoulli(8), hm.Bernoulli(5), hm.Bernoulli(4)]


def begun():
    """Weights large enough that learning soon gets going."""
    return hm.DBM(layers(), [hm.Dense(8, 5, scale=0.3, seed=1), hm.Dense(5, 4, scale=0.3, seed=2)])


SETTINGS = {"negative": hm.PersistentCD(100, steps=5), "batch_size": 50, "progress": False}


def held_out(model):
    """The exact log-likelihood of cases that were not learnt, in nats a case."""
    rows = torch.cat([bars(400, 1), torch.full((400, model.even.shape[0] - 8), torch.nan)], dim=1)
    given = hm.Given(missing=rows.isnan())
    return hm.likelihood.log_likelihood(model.joint, rows, log_z=hm.likelihood.exact_log_z(model.joint), given=given).mean().item()


@pytest.mark.parametrize("gradient", ["plain", "centred", "enhanced"])
def test_learning_raises_the_held_out_likelihood(gradient):
    """Of the source the entropy is 2 ln 2 + 8 · 0.325 = 3.99 nats."""
    model, more = begun(), {"averaging": 0.2, "validation": bars(200, 2), "sweeps": 5}
    rate = partial(hm.MomentumSGD, lr=0.2)
    state = hm.fit(model, bars(500, 0), epochs=40, optimizer=rate, gradient=gradient, **more, **SETTINGS)
    assert held_out(model) > -4.4
    assert held_out(state.averaged()) > -4.4
    first, last = state.history[0], state.history[-1]
    assert last["reconstruction_error"] < first["reconstruction_error"]
    assert 0 <= last["mean_field_change"] < 0.01
    assert abs(last["free_energy_gap"]) < 0.5
    assert last["dead"] == last["saturated"] == 0


def test_the_figures():
    model, training, validation = deep.dbm("bernoulli", "bernoulli", "bernoulli").float(), bars(50, 0)[:, :3], bars(20, 1)[:, :3]
    state = hm.fit(model, training, epochs=1, validation=validation, sweeps=2, **SETTINGS)
    found, held = (model.mean_field(x, sweeps=2) for x in (training, validation))
    row = state.history[-1]
    assert row["mean_field_change"] == pytest.approx(found.change.mean().item(), rel=1e-4)
    h1 = [found.phase.hidden_mean]
    assert row["reconstruction_error"] == pytest.approx((model.visible_mean(h1) - training).square().sum(1).mean().item(), rel=1e-4)
    gap = model.variational_free_energy(held).mean() - model.variational_free_energy(found)[:20].mean()
    assert row["free_energy_gap"] == pytest.approx(gap.item(), abs=1e-4)


def test_a_dead_unit_and_a_saturated_one_are_counted_in_every_layer():
    model = hm.DBM(layers(), seed=1)
    with torch.no_grad():
        model.layers[1].bias[0] = -30.0
        model.layers[2].bias[:2] = 30.0
    state = hm.fit(model, bars(50, 0), epochs=1, optimizer=partial(torch.optim.SGD, lr=0.0), **SETTINGS)
    assert state.history[-1]["dead"] == pytest.approx(1 / 9)
    assert state.history[-1]["saturated"] == pytest.approx(2 / 9)


@pytest.mark.parametrize("gradient", ["plain", "centred"])
def test_it_resumes_to_the_same_bits(tmp_path, gradient):
    """After an interruption within an epoch, and in a rerun of a finished training."""

    class Interrupt(hm.Callback):
        def on_step(self, state):
            if state.step == 13:
                raise KeyboardInterrupt

    def learn(epochs, checkpoint=None, callbacks=()):
        model = hm.DBM(layers(), seed=1)
        settings = {"gradient": gradient, "averaging": 0.2, "sparsity": hm.Sparsity(0.3), "checkpoint": checkpoint, "seed": 3}
        state = hm.fit(model, bars(200, 0), epochs=epochs, callbacks=callbacks, **settings, **SETTINGS)
        return [*model.state_dict().values(), *state.averaged().state_dict().values(), state.chains]

    whole = learn(5)
    with pytest.raises(KeyboardInterrupt):
        learn(5, tmp_path / "state", [Interrupt()])
    for found in (learn(5, tmp_path / "state"), learn(5, tmp_path / "state")):
        assert all(torch.equal(a, b) for a, b in zip(found, whole, strict=True))
    with pytest.raises(KeyboardInterrupt):
        learn(5, tmp_path / "old", [Interrupt()])
    tensors, header = read_tensors(tmp_path / "old")  # as it was written while a deep Boltzmann machine was an RBM itself
    write_tensors(tmp_path / "old", {name.replace(".joint.", "."): tensor for name, tensor in tensors.items()}, header)
    assert not any("joint" in name for name in read_tensors(tmp_path / "old")[0])
    assert all(torch.equal(a, b) for a, b in zip(learn(5, tmp_path / "old"), whole, strict=True))
    more = {"averaging": 0.2, "checkpoint": tmp_path / "state", "seed": 3}
    with pytest.raises(ValueError, match="sweeps=10, and this run has sweeps=3"):
        hm.fit(hm.DBM(layers(), seed=1), bars(200, 0), gradient=gradient, sweeps=3, **more, **SETTINGS)


def test_a_row_of_weight_two_is_two_rows():
    model, v = deep.dbm("bernoulli", "bernoulli", "bernoulli"), torch.tensor([[1.0, 0, 0], [0, 1, 1]], dtype=torch.float64)
    one = exact_update(model, v, [2.0, 1.0])
    other = exact_update(model, v[[0, 0, 1]])
    for name, value in one.items():
        close(value, other[name], 1e-12)


@pytest.mark.parametrize(
    "negative",
    [hm.ContrastiveDivergence(2), hm.FastPCD(20), hm.PersistentCD(20, sampler=hm.Tempering(betas=4))],
    ids=lambda rule: type(rule).__name__,
)
def test_every_way_to_make_particles_goes(negative):
    model = begun()
    before = held_out(model)
    hm.fit(model, bars(500, 0), epochs=20, optimizer=partial(hm.MomentumSGD, lr=0.1), **{**SETTINGS, "negative": negative})
    assert held_out(model) > before + 0.7


def test_streams_sources_and_numbers_of_any_type():
    """Batches as they pass are those of the array; images drawn anew are taken too."""
    rows = bars(100, 0)
    found = []
    for data in (rows, rows.to(torch.uint8).numpy()):
        model = hm.DBM(layers(), seed=1)
        hm.fit(model, data, epochs=2, **SETTINGS)
        found.append(model)
    for a, b in zip(*(model.state_dict().values() for model in found), strict=True):
        assert torch.equal(a, b)
    for data in ([rows[:50], rows[50:]], hm.data.binarise(rows, "resampled")):
        model = hm.DBM(layers(), seed=1)
        hm.fit(model, data, epochs=2, **SETTINGS)


def test_fresh_biases_start_at_the_data_and_others_stay():
    rows = bars(100, 0)
    for bias in (0.0, 0.3):
        model = hm.DBM(layers(), seed=1)
        model.layers[0].bias.data.fill_(bias)
        hm.fit(model, rows, epochs=1, optimizer=partial(torch.optim.SGD, lr=0.0), **SETTINGS)
        ones = rows.sum(0)
        close(model.layers[0].bias, torch.log((ones + 1) / (101 - ones)) if bias == 0 else torch.full((8,), bias), 1e-6)
        assert model.layers[2].bias.abs().max() == 0


def test_a_pass_of_its_own_is_taken_as_it_is():
    """The learning signal is that of the means it is given."""
    model, v = deep.dbm("bernoulli", "bernoulli", "bernoulli"), torch.ones(4, 3, dtype=torch.float64)
    phase = model.mean_field(v, sweeps=1).phase
    gradients = []
    for data in (phase, phase.v):
        contrastive_gradient(model.joint, data, None, hm.ExactGradient())
        gradients.append([parameter.grad.clone() for parameter in model.parameters()])
    for a, b in zip(*gradients, strict=True):
        close(a, b, 1e-12)


def test_refusals():
    model, rows = hm.DBM(layers()), bars(20, 0)
    with pytest.raises(ValueError, match="complete cases only"):
        hm.fit(model, rows, given=hm.Given(missing=torch.zeros(20, 8)), **SETTINGS)
    with pytest.raises(ValueError, match="RatioMatching needs free energies"):
        hm.fit(model, rows, **{**SETTINGS, "negative": hm.RatioMatching()})
    with pytest.raises(ValueError, match="variance of layer 2"):
        hm.fit(hm.DBM([hm.Bernoulli(8), hm.Bernoulli(3), hm.Gaussian(2, learn_variance=True)]), rows, **SETTINGS)
    with pytest.raises(ValueError, match=r"expect 0 or 1, found 0\.5"):
        hm.fit(model, rows / 2, **SETTINGS)
    with pytest.raises(ValueError, match="mean field takes at least one sweep"):
        hm.fit(model, rows, sweeps=0, **SETTINGS)
    with pytest.raises(ValueError, match=r"shape \(\.\.\., 8\), found \(20, 12\)"):
        hm.fit(model, torch.zeros(20, 12), **SETTINGS)


# One layer at a time --------------------------------------------------------------------------------------------------------------


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_what_each_machine_of_the_stack_sees():
    """The data twice, then a sample of h1 given twice the input from below, twice, then one of h2, once."""
    seen = []

    def train(rbm, data, index):
        rows = data.rows(torch.arange(4000), torch.Generator().manual_seed(index))
        seen.append((type(rbm.visible).__name__, type(rbm.hidden).__name__, rows.double().numpy()))
        with torch.no_grad():
            for parameter in rbm.parameters():
                parameter.normal_(generator=torch.Generator().manual_seed(10 * index + parameter.numel()))
        rbms.append(rbm)

    v = bars(1, 0).expand(4000, -1)
    for sampled in (True, False):
        seen, rbms = [], []
        sizes = [hm.Bernoulli(n) for n in (8, 3, 2, 2)]
        hm.greedy_dbm(v, sizes, train=train, sampled=sampled)
        assert [(a, b) for a, b, _ in seen] == [("Binomial", "Bernoulli"), ("Binomial", "Binomial"), ("Bernoulli", "Binomial")]
        weights = [rbm.coupling.weight.detach().double().numpy() for rbm in rbms]
        biases = [rbm.hidden.bias.detach().double().numpy() for rbm in rbms]
        assert (seen[0][2] == 2 * v.double().numpy()).all()
        first = sigmoid(2 * v[0].double().numpy() @ weights[0] + biases[0])
        if not sampled:
            close(seen[1][2][0], 2 * first, 1e-6)
            close(seen[2][2][0], sigmoid(2 * first @ weights[1] + biases[1]), 1e-6)
            continue
        assert set(np.unique(seen[1][2])) == {0.0, 2.0}
        assert set(np.unique(seen[2][2])) == {0.0, 1.0}
        every = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
        chance = np.where(every, first, 1 - first).prod(1)
        second = chance @ sigmoid(2 * every @ weights[1] + biases[1])
        for rows, mean in ((seen[1][2] / 2, first), (seen[2][2], second)):
            assert (np.abs(rows.mean(0) - mean) < 4 * np.sqrt(mean * (1 - mean) / 4000)).all()


def test_a_doubled_layer_is_two_copies_of_each_unit():
    """Its energies summed over the ways to have n on, and its mean, by listing pairs."""
    unit = hm.Bernoulli(3).double()
    unit.bias.data = torch.tensor([0.4, -1.0, 0.2], dtype=torch.float64)
    twice, input = doubled(unit), torch.tensor([0.3, -0.2, 1.5], dtype=torch.float64)
    p = sigmoid(unit.bias.detach().numpy() + input.numpy())
    close(twice.mean(input), 2 * p, 1e-12)
    close(twice.log_partition(input), 2 * unit.log_partition(input), 1e-12)
    assert doubled(hm.Binomial(3, copies=2)).copies == 4
    assert doubled(hm.Bernoulli(3, values="probabilities")).values == "means"
    with pytest.raises(ValueError, match="Bernoulli or Binomial units, found Softmax"):
        doubled(hm.Softmax(1, categories=3))


def test_the_machine_that_layers_make():
    """Weights as they are; a bias between two machines is the mean of theirs; checked in the conditionals, by hand."""
    sizes = [hm.Bernoulli(n) for n in (8, 3, 2, 4)]
    rbms = [
        hm.RBM(doubled(sizes[0]), sizes[1], seed=1),
        hm.RBM(doubled(sizes[1]), doubled(sizes[2]), seed=2),
        hm.RBM(sizes[2], doubled(sizes[3]), seed=3),
    ]
    with torch.no_grad():
        for number, rbm in enumerate(rbms):
            for parameter in rbm.parameters():
                parameter.normal_(generator=torch.Generator().manual_seed(10 * number + parameter.numel()))
    model = composed(rbms, [hm.Bernoulli(n) for n in (8, 3, 2, 4)])
    w1, w2, w3 = (rbm.coupling.weight.detach().numpy() for rbm in rbms)
    b = [[unit.bias.detach().numpy() for unit in (rbm.visible, rbm.hidden)] for rbm in rbms]
    v, h1, h2, h3 = (np.random.default_rng(n).integers(2, size=(5, n)).astype(np.float32) for n in (8, 3, 2, 4))
    even, odd = model.join([torch.tensor(x) for x in (v, h1, h2, h3)])
    expected = [
        sigmoid(h1 @ w1.T + b[0][0]),
        sigmoid(v @ w1 + h2 @ w2.T + (b[0][1] + b[1][0]) / 2),
        sigmoid(h1 @ w2 + h3 @ w3.T + (b[1][1] + b[2][0]) / 2),
        sigmoid(h2 @ w3 + b[2][1]),
    ]
    for found, mean in zip(model.split(model.joint.visible_mean(odd), model.joint.hidden_mean(even)), expected, strict=True):
        close(found, mean, 1e-6)


def test_layers_learnt_one_at_a_time_are_a_start(tmp_path):
    rate, learn = partial(hm.MomentumSGD, lr=0.1), {"epochs": 20, "seed": 1, "checkpoints": tmp_path, "validation": bars(100, 2)}
    model = hm.greedy_dbm(bars(500, 0), layers(), optimizer=rate, **learn, **SETTINGS)
    start = held_out(model)
    assert start > held_out(hm.DBM(layers())) + 0.5
    assert {path.name for path in tmp_path.glob("*.safetensors")} == {"layer-1.safetensors", "layer-2.safetensors"}
    again = hm.greedy_dbm(bars(500, 0), layers(), optimizer=rate, **learn, **SETTINGS)
    for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    hm.fit(model, bars(500, 0), epochs=20, optimizer=rate, **SETTINGS)
    assert held_out(model) > max(start, -4.4)


@pytest.mark.parametrize(
    ("units", "settings", "message"),
    [
        ([8, 3], {}, "at least three layers, found 2"),
        ([8, 3, 2], {"train": lambda *_: None, "epochs": 3}, "epochs"),
        ([4, 3, 2], {}, r"shape \(\.\.\., 4\)"),
    ],
)
def test_what_makes_no_stack_is_refused(units, settings, message):
    with pytest.raises(ValueError, match=message):
        hm.greedy_dbm(bars(10, 0), [hm.Bernoulli(n) for n in units], **settings)
    with pytest.raises(ValueError, match="Bernoulli units, found Softmax"):
        hm.greedy_dbm(bars(10, 0), [hm.Bernoulli(8), hm.Bernoulli(2), hm.Softmax(1, categories=3)])
    with pytest.raises(ValueError, match="indexed by case number"):
        hm.greedy_dbm([bars(10, 0)], [hm.Bernoulli(8), hm.Bernoulli(2), hm.Bernoulli(3)])
