"""Centred and enhanced gradients: indifferent to flipped bits, equal to the papers' formulas, an ascent for every unit and coupling."""

import copy
from functools import partial

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.learning import Rule
from harmonium.units import NOTHING
from tests.couplings.checks import machine as coupled
from tests.learning.test_exact_gradient import Fixed
from tests.models.machines import LAYERS, close, leaves, machine, samples

SGD = partial(torch.optim.SGD, lr=0.3)
MOMENTUM = partial(torch.optim.SGD, lr=0.1, momentum=0.9, weight_decay=1e-3)
ADAM = partial(torch.optim.Adam, lr=0.03)


class Exact(Rule):
    """Exact averages of data and model; `case`: what is given of each case alike."""

    def __init__(self, case=NOTHING):
        self.case = case

    def check(self, model, given):
        pass

    def gradient(self, model, positive, slots, *, generator):
        model.accumulate_gradient(positive.phase, **positive.weighting(), fresh=True, given=positive.given)
        for name, average in hm.likelihood.exact_moments(model, given=self.case).energy_gradient.items():
            model.get_parameter(name).grad.sub_(average)


def learn(rbm, rows, negative, **settings):
    """Full batches unless told otherwise, and the exact gradient of real-valued units."""
    return hm.fit(rbm, rows, negative=negative, **{"batch_size": len(rows), "standardise": False, "progress": False, **settings})


# Which state of a unit is called 1 -------------------------------------------------------------------------------------------------

VISIBLE, HIDDEN = (torch.tensor(bits, dtype=torch.float64) for bits in ([1.0, 0, 0, 1, 1, 0], [0, 1.0, 1, 0]))
CASES = (torch.rand(30, 6, generator=torch.Generator().manual_seed(2)) < torch.tensor([0.9, 0.8, 0.2, 0.9, 0.5, 0.7])).double()


def image(rbm):
    """The same distribution with the states of VISIBLE and HIDDEN called by each other's names."""
    found = copy.deepcopy(rbm)
    b, c, weight = found.visible.bias.data, found.hidden.bias.data, found.coupling.weight.data
    b += weight @ HIDDEN
    c += VISIBLE @ weight
    b *= 1 - 2 * VISIBLE
    c *= 1 - 2 * HIDDEN
    weight *= (1 - 2 * VISIBLE)[:, None] * (1 - 2 * HIDDEN)
    return found


def distance(one, other):
    return max((p - q).abs().max().item() for p, q in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("optimizer", [SGD, MOMENTUM, ADAM], ids=["sgd", "momentum", "adam"])
@pytest.mark.parametrize(("gradient", "indifferent"), [("centred", True), ("enhanced", True), ("plain", False)])
def test_flipped_bits_are_learnt_alike(gradient, indifferent, optimizer):
    """Twenty steps from any machine and from its image."""
    rbm = machine(hm.Bernoulli(6), hm.Bernoulli(4))
    other, begun = image(rbm), copy.deepcopy(rbm)
    settings = {"gradient": gradient, "optimizer": optimizer, "epochs": 20, "weight_cost": 1e-3}
    learn(rbm, CASES, Exact(), **settings)
    learn(other, (CASES - VISIBLE).abs(), Exact(), **settings)
    assert distance(rbm, begun) > 0.1
    apart = distance(image(rbm), other)
    assert apart < 1e-10 if indifferent else apart > 1e-2


@pytest.mark.parametrize("gradient", ["centred", "enhanced"])
def test_a_fresh_machine_starts_alike_on_flipped_data(gradient):
    """Its biases start at the data's base rates; its hidden units are the same, and the weights' signs are all that the data change."""
    rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), hm.Dense(6, 4, scale=0.5)).double()
    other = copy.deepcopy(rbm)
    other.coupling.weight.data *= (1 - 2 * VISIBLE)[:, None]
    learn(rbm, CASES, Exact(), gradient=gradient, optimizer=SGD, epochs=20)
    flipped = (CASES - VISIBLE).abs()
    learn(other, flipped, Exact(), gradient=gradient, optimizer=SGD, epochs=20)
    found, expected = (
        hm.likelihood.log_likelihood(*pair, log_z=hm.likelihood.exact_log_z(pair[0])) for pair in ((other, flipped), (rbm, CASES))
    )
    close(found, expected, 1e-10)


# The formulas ---------------------------------------------------------------------------------------------------------------------


class Recorded(Fixed):
    """Remembers the batches; paired particles are the batch's rows in another order, with a bit flipped."""

    def init(self, model, generator):
        self.batches = []
        return {}

    def particles(self, model, positive, slots, *, generator):
        v = positive.phase.v
        self.batches.append(v.numpy().copy())
        return (v.flip(0) - VISIBLE).abs() if self.paired else self.rows


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def moments(v, shares, parameters):
    """<v>, <h> and <v h'>, the hidden units averaged out."""
    _, c, weight = parameters
    h = sigmoid(c + v @ weight)
    return shares @ v, shares @ h, v.T @ (shares[:, None] * h)


def enhanced(data, model, offsets):
    """Cho, Raiko & Ilin (2011): the difference of two covariances, and the biases' share of it taken off."""
    (v_d, h_d, vh_d), (v_m, h_m, vh_m) = data, model
    weight = (vh_d - np.outer(v_d, h_d)) - (vh_m - np.outer(v_m, h_m))
    return v_d - v_m - weight @ (h_d + h_m) / 2, h_d - h_m - weight.T @ (v_d + v_m) / 2, weight


def centred(data, model, offsets):
    """Montavon & Müller (2012), with the model kept as it is where the offsets move."""
    (v_d, h_d, _), (v_m, h_m, _) = data, model
    mu, lam = offsets
    about = [vh - np.outer(v, lam) - np.outer(mu, h) + np.outer(mu, lam) for v, h, vh in (data, model)]
    weight = about[0] - about[1]
    return v_d - v_m - weight @ lam, h_d - h_m - weight.T @ mu, weight


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("formula", [centred, enhanced])
def test_updates_are_those_of_the_papers(formula, weighted, paired):
    """Step by step, with short last batches and heavy ones, until the running means have begun to forget."""
    rate, rows = 0.05, np.unique(samples(hm.Bernoulli(6), 12, 4), axis=0)[:7]
    weights = np.array([2.0, 0, 0, 1, 0.5, 0, 3]) if weighted else np.ones(7)
    rbm = machine(hm.Bernoulli(6), hm.Bernoulli(4))
    parameters = [p.detach().numpy().copy() for p in (rbm.visible.bias, rbm.hidden.bias, rbm.coupling.weight)]
    particles = samples(hm.Bernoulli(6), 9, 5)
    negative = Recorded(torch.tensor(particles), paired=paired)
    settings = {"sample_weight": weights if weighted else None, "batch_size": 2, "epochs": 30, "optimizer": partial(SGD, lr=rate)}
    learn(rbm, torch.tensor(rows), negative, gradient=formula.__name__, **settings)
    offsets, seen = (np.full(6, np.nan), np.full(4, np.nan)), 0.0
    assert {len(v) for v in negative.batches} == ({2} if weighted else {1, 2})  # four rows have a weight
    for v in negative.batches:
        shares = np.array([weights[(rows == row).all(1).argmax()] for row in v]) / weights[weights > 0].mean() / len(v)
        heavy = shares.sum()
        seen, shares = seen + heavy, shares / heavy
        data = moments(v, shares, parameters)
        model = moments(*((np.abs(v[::-1] - VISIBLE.numpy()), shares) if paired else (particles, np.full(9, 1 / 9))), parameters)
        forget = min(1.0, heavy * max(0.01, 1 / seen))
        offsets = [now if forget == 1 else old + forget * (now - old) for old, now in zip(offsets, data[:2], strict=True)]
        parameters = [p + rate * heavy * slope for p, slope in zip(parameters, formula(data, model, offsets), strict=True)]
    for found, expected in zip((rbm.visible.bias, rbm.hidden.bias, rbm.coupling.weight), parameters, strict=True):
        close(found, expected, 1e-10)


# Every kind of unit, every coupling ------------------------------------------------------------------------------------------------


def expected(rbm, slopes, offsets, rate):
    """One step down `slopes` in (b', c', W), where b = b' - the mean of W λ over the units that share it, by autograd."""
    after = copy.deepcopy(rbm)
    for parameter in after.parameters():
        parameter.grad = None
    core = after.coupling.core

    def biases():
        for unit, offset, send in ((after.visible, offsets["hidden"], core.to_visible), (after.hidden, offsets["visible"], core.to_hidden)):
            input, start = send(offset.reshape(core.hidden if unit is after.visible else core.visible)).flatten(), 0
            for leaf in leaves(unit):
                size = int(np.prod(leaf.shape))
                own, start = input[start : start + size].reshape(leaf.shape), start + size
                if hasattr(leaf, "bias") and leaf.bias.requires_grad:
                    shared = [axis for axis, (one, all_) in enumerate(zip(leaf.bias.shape, leaf.shape, strict=True)) if one < all_]
                    yield leaf.bias, own.mean(shared, keepdim=True) if shared else own

    learnt = {name: p for name, p in after.named_parameters() if p.requires_grad}
    slope_of = {id(p): slopes[name] for name, p in learnt.items()}
    before = list(biases())
    (-sum((slope_of[id(bias)] * input).sum() for bias, input in before)).backward()
    with torch.no_grad():
        for name, parameter in learnt.items():
            parameter -= rate * (slopes[name] if parameter.grad is None else slopes[name] + parameter.grad)
        for (bias, old), (_, new) in zip(before, list(biases()), strict=True):
            bias -= new - old
    return dict(after.named_parameters())


def climbs(rbm, rows, gradient, case=NOTHING):
    """The step is the one expected, the slope along it goes up, and so does the likelihood."""
    rule, given = Exact(case), case.expand(len(rows))
    before = copy.deepcopy(rbm)
    before.accumulate_gradient(before.infer(rows, given), scale=1 / len(rows), fresh=True, given=given)
    averages = hm.likelihood.exact_moments(rbm, given=case).energy_gradient
    slopes = {name: p.grad - averages[name] for name, p in before.named_parameters() if p.requires_grad}
    state = learn(rbm, rows, rule, gradient=gradient, given=given, epochs=1, optimizer=partial(SGD, lr=1e-3))
    change = {name: p.detach() - before.get_parameter(name).detach() for name, p in rbm.named_parameters()}
    for name, value in expected(before, slopes, state.slots["centring"], 1e-3).items():
        close(rbm.get_parameter(name), value, 1e-12)
    plain = {name: -1e-3 * slope for name, slope in slopes.items()}
    assert max((change[name] - step).abs().max() for name, step in plain.items()) > 1e-5
    assert sum((slopes[name] * change[name]).sum() for name in slopes) < -1e-7
    likelihood = [
        hm.likelihood.log_likelihood(model, rows, log_z=hm.likelihood.exact_log_z(model, given=case), given=given).mean()
        for model in (before, rbm)
    ]
    assert likelihood[1] > likelihood[0]


@pytest.mark.parametrize("gradient", ["centred", "enhanced"])
@pytest.mark.parametrize("side", ["visible", "hidden"])
@pytest.mark.parametrize("kind", LAYERS)
def test_every_kind_of_unit_climbs(kind, side, gradient):
    rbm = machine(*((kind, "bernoulli") if side == "visible" else ("bernoulli", kind)))
    climbs(rbm, torch.tensor(samples(rbm.visible, 8, 3)), gradient)


def frozen():
    rbm = coupled(hm.Bernoulli(4), hm.Bernoulli(3), hm.Dense(4, 3))
    rbm.visible.bias.requires_grad_(False)
    return rbm


COUPLINGS = {
    "dense": lambda: coupled(hm.Bernoulli((2, 2)), hm.Bernoulli(3), hm.Dense((2, 2), 3)),
    "low_rank": lambda: coupled(hm.Bernoulli(5), hm.Bernoulli(4), hm.LowRank(5, 4, rank=2)),
    "convolutional": lambda: coupled(
        hm.Bernoulli((2, 5), bias_shape=(2, 1)), hm.Bernoulli((2, 3), bias_shape=(2, 1)), hm.Convolutional((2, 5), 2, kernel=3)
    ),
    "shared_gaussian": lambda: coupled(
        hm.Gaussian((2, 5), bias_shape=(1, 5), learn_variance=True), hm.Bernoulli((2, 3)), hm.Convolutional((2, 5), 2, kernel=3)
    ),
    "conditional": lambda: coupled(hm.Bernoulli(4), hm.Bernoulli(3), hm.Conditional(hm.Dense(4, 3), 2)),
    "conditional_low_rank": lambda: coupled(hm.Spin(4), hm.Bernoulli(3), hm.Conditional(hm.LowRank(4, 3, rank=2), 2)),
    "frozen_bias": frozen,
}


@pytest.mark.parametrize("gradient", ["centred", "enhanced"])
@pytest.mark.parametrize("name", COUPLINGS)
def test_every_coupling_climbs(name, gradient):
    rbm = COUPLINGS[name]()
    case = hm.Given(context=torch.tensor([0.5, -1.0], dtype=torch.float64)) if name.startswith("conditional") else NOTHING
    climbs(rbm, torch.tensor(samples(rbm.visible, 8, 3)).double(), gradient, case)


def test_enhanced_offsets_are_the_means_alone_with_a_sparsity_target():
    rbm, particles = machine(hm.Bernoulli(6), hm.Bernoulli(4)), torch.tensor(samples(hm.Bernoulli(6), 9, 5))
    means = [
        torch.stack([rows.mean(0) for rows in pair]).mean(0)
        for pair in ((CASES, particles), (rbm.hidden_mean(CASES), rbm.hidden_mean(particles)))
    ]
    state = learn(rbm, CASES, Fixed(particles), gradient="enhanced", epochs=1, sparsity=hm.Sparsity(target=0.05, cost=1.0))
    close(state.slots["centring"]["visible"], means[0], 1e-12)
    close(state.slots["centring"]["hidden"], means[1], 1e-12)


def test_a_state_of_the_plain_gradient_goes_on_centred():
    rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    state = hm.fit(rbm, CASES, epochs=1, progress=False)
    hm.fit(rbm, CASES, epochs=2, state=state, gradient="centred", progress=False)
    assert {side: len(state.slots["centring"][side]) for side in ("visible", "hidden")} == {"visible": 6, "hidden": 4}


# What cannot be had ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("visible", "settings", "message"),
    [
        (lambda: hm.Bernoulli(3), {"gradient": "centrd"}, "one of 'plain', 'centred', 'enhanced', found 'centrd'"),
        (lambda: hm.ReplicatedSoftmax(3), {"gradient": "centred"}, "documents have no centred gradient"),
        (lambda: hm.Groups(hm.Bernoulli(1), hm.ReplicatedSoftmax(2)), {"gradient": "enhanced"}, "documents have no centred gradient"),
        (lambda: hm.Gaussian(3), {"gradient": "centred"}, "give standardise=False"),
        (lambda: hm.Bernoulli(3), {"gradient": "enhanced", "negative": hm.RatioMatching()}, "needs means of the model"),
    ],
)
def test_refused(visible, settings, message):
    rbm = hm.RBM(visible(), hm.Bernoulli(2))
    with pytest.raises(ValueError, match=message):
        hm.fit(rbm, torch.ones(4, 3), **settings)


# What it is for -------------------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_centred_learning_gets_further_where_bits_are_mostly_on():
    """Images of a few strokes on white, 16 hidden units, as many updates, exact likelihoods."""
    draw = np.random.default_rng(1)
    strokes = draw.random((10, 40)) < 0.15
    dark = strokes[draw.integers(10, size=300)] ^ (draw.random((300, 40)) < 0.02)
    rows, reached = torch.tensor(~dark).float(), {}
    for gradient in ("plain", "centred", "enhanced"):
        rbm = hm.RBM(hm.Bernoulli(40), hm.Bernoulli(16))
        settings = {"epochs": 20, "batch_size": 20, "optimizer": SGD, "gradient": gradient}
        hm.fit(rbm, rows, negative=hm.PersistentCD(chains=50), progress=False, **settings)
        reached[gradient] = hm.likelihood.log_likelihood(rbm, rows, log_z=hm.likelihood.exact_log_z(rbm)).mean()
    assert min(reached["centred"], reached["enhanced"]) > reached["plain"] + 2
