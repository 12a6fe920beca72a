"""Which machines have a partition function: both sides of each boundary, and numbers that show where it lies."""

import itertools
import math

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.units import NOTHING, Given
from tests import oracle

from .machines import (
    EVERY_PAIR,
    LAYERS,
    ONE_SIDED,
    PAIRS,
    SLOW,
    close,
    endless,
    given,
    kind_of,
    leaves,
    machine,
    made,
    names,
    parts,
    plain,
    possible,
    randomise,
)

BOUNDED = [kind for kind in LAYERS if not endless(kind)]
SHORT, LONG = 1 - 1e-3, 1 + 1e-3


def joined(visible, hidden, weight, coupling=None):
    """The float64 RBM of two layers and a matrix of weights."""
    rbm = hm.RBM(visible, hidden, coupling).double()
    if coupling is None:
        rbm.coupling.weight.data = torch.as_tensor(weight, dtype=torch.float64).expand(rbm.coupling.weight.shape).clone()
    return rbm


def refused(rbm, message, given=NOTHING):
    with pytest.raises(ValueError, match=message):
        rbm.check_normalisable(given)


# Units of quadratic energy on both sides --------------------------------------------------------------------------------------------

QUADRATIC = {
    "gaussian": lambda: hm.Gaussian(2, learn_variance=True),
    "truncated": lambda: hm.TruncatedGaussian(2, learn_variance=True),
    "unbounded_stepped": lambda: hm.SteppedSigmoid(2),
}
NORM = r"spectral norm of\s+diag\(1/σ_v\) W diag\(1/σ_h\) must be below 1"


def deviations(unit):
    """σ of each unit, that of stepped units one."""
    return unit.log_variance.detach().exp().sqrt().numpy() if hasattr(unit, "log_variance") else np.ones(unit.shape)


@pytest.mark.parametrize("hidden", QUADRATIC)
@pytest.mark.parametrize("visible", QUADRATIC)
def test_quadratic_units_need_a_spectral_norm_below_one(visible, hidden):
    """Where both are one-sided only positive weights count; elsewhere the sign makes no difference."""
    draw = np.random.default_rng(3)
    layers = QUADRATIC[visible](), QUADRATIC[hidden]()
    for layer in layers:
        randomise(layer, draw)
    one_sided = visible in ONE_SIDED and hidden in ONE_SIDED
    for signs in (np.ones((2, 2)), -np.ones((2, 2)), np.array([[1, -1], [1, 1]])):
        weight = signs * draw.uniform(0.3, 1, (2, 2))
        scaled = weight / deviations(layers[0])[:, None] / deviations(layers[1])
        counted = scaled.clip(min=0) if one_sided else scaled
        norm = np.linalg.svd(counted, compute_uv=False)[0]
        if norm == 0:
            joined(*layers, 100 * weight).check_normalisable()
            continue
        joined(*layers, SHORT / norm * weight).check_normalisable()
        refused(joined(*layers, LONG / norm * weight), NORM + r".*found 1\.001")


def of_norm(rbm, norm):
    """The Gaussian-Gaussian machine with its weights scaled so that diag(1/σ_v) W diag(1/σ_h) has this spectral norm."""
    scaled = rbm.coupling.weight.detach().numpy() / deviations(rbm.visible)[:, None] / deviations(rbm.hidden)[None, :]
    rbm.coupling.weight.data *= norm / np.linalg.svd(scaled, compute_uv=False)[0]
    return rbm


@pytest.mark.parametrize("refusing", [hm.likelihood.exact_log_z, hm.likelihood.ais, hm.RBM.check_normalisable])
def test_whatever_needs_a_partition_function_asks_first(refusing):
    with pytest.raises(ValueError, match=r"spectral norm.*1\.001"):
        refusing(of_norm(machine("gaussian", "learnt_gaussian"), LONG))


def test_just_below_one_there_is_a_partition_function():
    rbm = of_norm(machine("gaussian", "learnt_gaussian"), SHORT)
    rbm.check_normalisable()
    close(hm.likelihood.exact_log_z(rbm), oracle.gaussian_log_z(plain(rbm)))


def test_only_the_real_units_of_mixed_layers_count():
    rbm = machine("gaussian_bernoulli", "gaussian_bernoulli")
    rbm.coupling.weight.data.fill_(50.0)
    rbm.coupling.weight.data[0, 0] = 0.5
    rbm.check_normalisable()
    rbm.coupling.weight.data[0, 0] = 5.0
    refused(rbm, "spectral norm")


# Exponential units, which bear inputs below their rate ------------------------------------------------------------------------------


def highest(unit, weight, words=3):
    """The highest input that a bounded layer's states send along each column of weights, by listing them all."""
    exact = parts(unit, words)
    return (oracle.statistic(exact, oracle.table(exact)[0]) @ weight).max(0)


@pytest.mark.parametrize("kind", BOUNDED)
def test_the_highest_input_is_that_of_some_state(kind):
    unit = LAYERS[kind]().double()
    randomise(unit, np.random.default_rng(0))
    weight = np.random.default_rng(1).normal(size=(unit.statistic_shape[0], 20))
    close(unit.max_interaction(torch.tensor(weight)), highest(unit, weight), 1e-12)
    close(unit.max_interaction(torch.tensor(-np.abs(weight))), highest(unit, -np.abs(weight)), 1e-12)


@pytest.mark.parametrize("shape", [(2, 2, 4), (4, 2)])
def test_the_highest_input_of_shaped_blocks(shape):
    unit = hm.PooledBlocks(shape, pool=(2, 2)).double()
    weight = np.random.default_rng(1).normal(size=(int(np.prod(shape)), 5))
    close(unit.max_interaction(torch.tensor(weight)), highest(unit, weight), 1e-12)


@pytest.mark.parametrize("make", [lambda: hm.ReplicatedSoftmax(3), lambda: hm.Groups(hm.Bernoulli(2), hm.ReplicatedSoftmax(3))])
def test_the_highest_input_of_a_document_grows_with_its_length(make):
    unit = make().double()
    weight = np.random.default_rng(1).normal(size=(unit.statistic_shape[0], 20))
    for words in (1, 2, 5):
        found = unit.max_interaction(torch.tensor(weight), Given(length=torch.tensor(float(words))))
        close(found, highest(unit, weight, words), 1e-12)
    assert torch.isinf(unit.max_interaction(torch.ones(unit.statistic_shape[0], 1))).all()
    assert torch.isfinite(unit.max_interaction(-torch.ones(unit.statistic_shape[0], 1))).all()


@pytest.mark.parametrize("kind", [kind for kind in LAYERS if len(names(kind)) == 1 and endless(kind)])
def test_the_highest_input_of_endless_units(kind):
    """None along weights of zero; none along negative ones where the states are one-sided; else no bound."""
    unit = LAYERS[kind]().double()
    weight = torch.tensor([[0.0, 0.1, -0.1, -0.1], [0.0, 0.0, 0.0, 0.1]], dtype=torch.float64)
    negative = math.inf if kind_of(unit) == "gaussian" else 0.0
    assert unit.max_interaction(weight).tolist() == [0.0, math.inf, negative, math.inf]


@pytest.mark.parametrize("exponential_is", ["hidden", "visible"])
@pytest.mark.parametrize("kind", BOUNDED)
def test_exponential_units_bear_what_stays_below_their_rate(kind, exponential_is):
    draw = np.random.default_rng(5)
    bounded, exponential = LAYERS[kind]().double(), hm.Exponential(2).double()
    randomise(bounded, draw)
    randomise(exponential, draw)
    rate = exponential.log_rate.detach().exp().numpy()
    weight = draw.normal(size=(bounded.statistic_shape[0], 2))
    top = highest(bounded, weight)
    assert (top > 0).all()
    weight *= rate / top
    layers = (bounded, exponential) if exponential_is == "hidden" else (exponential, bounded)
    turned = weight if exponential_is == "hidden" else weight.T
    joined(*layers, SHORT * turned).check_normalisable()
    refused(joined(*layers, LONG * turned), rf"{exponential_is}|highest input.*must stay below")
    weight[:, 0] *= SHORT
    weight[:, 1] *= LONG
    refused(joined(*layers, turned), rf"highest input.*Exponential unit 1 must stay below {rate[1]:.4g}, found")
    joined(
        *layers, -100 * np.abs(weight if exponential_is == "hidden" else weight.T) * (1 if "spin" not in kind else 0)
    ).check_normalisable()


def test_an_input_of_just_the_rate_is_too_high():
    refused(joined(hm.Bernoulli(2), hm.Exponential(1, rate=1.0), [[0.75], [0.25]]), "must stay below 1, found 1;")


@pytest.mark.parametrize(("words", "given"), [(3, True), (4, False)])
def test_exponential_units_under_a_document(words, given):
    """Longest input 0.3 a word: three words stay below a rate of one, four do not; without a length no document may be too long."""
    rbm = joined(hm.ReplicatedSoftmax(2), hm.Exponential(1), [[0.2], [-0.5], [0.1]])
    length = Given(length=torch.tensor(float(words)))
    if given:
        rbm.check_normalisable(length)
    else:
        refused(rbm, r"must stay below 1, found 1\.2", length)
    refused(rbm, "must stay below 1, found inf")
    rbm.coupling.weight.data[2] = -0.2 - 1e-9
    rbm.check_normalisable()


# Exponential and Poisson units against endless ones ---------------------------------------------------------------------------------

ENDLESS = {
    "exponential": lambda: hm.Exponential(2),
    "poisson": lambda: hm.Poisson(2),
    "truncated": lambda: hm.TruncatedGaussian(2),
    "unbounded_stepped": lambda: hm.SteppedSigmoid(2),
    "gaussian": lambda: hm.Gaussian(2),
}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("other", ENDLESS)
@pytest.mark.parametrize("slow", SLOW)
def test_slow_and_endless_units_repel_each_other_or_do_not_meet(slow, other, turned):
    """No weight may be positive, and towards Gaussian units none other than zero."""
    layers = [ENDLESS[slow]().double(), ENDLESS[other]().double()]
    layers = layers[::-1] if turned else layers
    message = r"highest input.*must stay below (1|inf), found inf.*must not be positive.*Gaussian units must be zero"
    tiny = torch.zeros(2, 2)
    joined(*layers, tiny).check_normalisable()
    tiny[0, 1] = 1e-6
    refused(joined(*layers, tiny), message)
    negative = joined(*layers, -torch.ones(2, 2))
    if other == "gaussian":
        refused(negative, message)
        refused(joined(*layers, -tiny), message)
    else:
        negative.check_normalisable()
        joined(*layers, -tiny).check_normalisable()


@pytest.mark.parametrize("kind", [*BOUNDED])
def test_poisson_units_bear_whatever_is_bounded(kind):
    unit = LAYERS[kind]()
    joined(unit, hm.Poisson(2), 50.0).check_normalisable()
    joined(hm.Poisson(2), unit, 50.0).check_normalisable()


def test_poisson_units_under_documents():
    rbm = joined(hm.ReplicatedSoftmax(2), hm.Poisson(1), [[1.0], [0.0], [0.5]])
    rbm.check_normalisable(Given(length=torch.tensor(1000.0)))
    refused(rbm, "must stay below inf, found inf")


# Groups: each part meets each ------------------------------------------------------------------------------------------------------


def test_the_parts_of_groups_add_up():
    """A Bernoulli unit of 0.6 and a spin of 0.3 reach 0.9 of a rate of 1; another 0.2 is too much, though no part alone is."""
    rbm = joined(hm.Groups(hm.Bernoulli(1), hm.Spin(1), hm.Poisson(1)), hm.Groups(hm.Gaussian(1), hm.Exponential(1)), 0.0)
    weight = rbm.coupling.weight.data
    weight[0, 1], weight[1, 1], weight[2, 1] = 0.6, -0.3, -5.0
    weight[0, 0], weight[1, 0] = 40.0, -40.0
    rbm.check_normalisable()
    weight[1, 1] = -0.5
    refused(rbm, "visible layer|Exponential unit 0 must stay below 1, found 1.1")
    weight[1, 1], weight[2, 0] = -0.3, 1e-3
    refused(rbm, "Poisson unit 0 must stay below inf")


def test_each_pair_of_parts_keeps_its_own_rule():
    rbm = joined(hm.Groups(hm.TruncatedGaussian(1), hm.Poisson(1)), hm.Groups(hm.SteppedSigmoid(1), hm.Exponential(1)), 0.0)
    weight = rbm.coupling.weight.data
    weight[:] = torch.tensor([[SHORT, -3.0], [-3.0, -3.0]])
    rbm.check_normalisable()
    weight[0, 0] = LONG
    refused(rbm, "with rectified or Gaussian units on both sides the spectral norm")
    for place in ((0, 1), (1, 0), (1, 1)):
        weight[:] = torch.tensor([[SHORT, -3.0], [-3.0, -3.0]])
        weight[place] = 1e-3
        refused(rbm, "must stay below")


@pytest.mark.parametrize(("visible", "hidden"), [pair for pair in PAIRS if not (endless(pair[0]) and endless(pair[1]))])
def test_any_weights_do_where_one_side_is_bounded(visible, hidden):
    """But for exponential units."""
    rbm = machine(visible, hidden)
    rbm.coupling.weight.data *= 10
    rate = [leaf for unit in (rbm.visible, rbm.hidden) for leaf in leaves(unit) if kind_of(leaf) == "exponential"]
    for leaf in rate:
        leaf.log_rate.data += math.log(10)
    rbm.check_normalisable()
    assert np.isfinite(hm.likelihood.exact_log_z(rbm))


@pytest.mark.parametrize(("visible", "hidden"), EVERY_PAIR)
def test_the_machines_of_these_tests_can_be_normalised(visible, hidden):
    rbm = machine(visible, hidden)
    rbm.check_normalisable(given(rbm.visible))


@pytest.mark.parametrize(("visible", "hidden"), [pair for pair in itertools.product(LAYERS, LAYERS) if not possible(*pair)])
def test_pairs_that_no_weights_can_normalise(visible, hidden):
    for size in (0.01, -0.01):
        refused(joined(made(visible), made(hidden), size), "weights towards Gaussian units must be zero")


# Other couplings, and what has no energy -------------------------------------------------------------------------------------------


def test_low_rank_weights_are_judged_by_their_product():
    coupling = hm.LowRank(2, 2, rank=2)
    rbm = joined(hm.Gaussian(2), hm.Gaussian(2), None, coupling)
    coupling.left.data, coupling.right.data = 3 * torch.eye(2).double(), SHORT / 3 * torch.eye(2).double()
    rbm.check_normalisable()
    coupling.left.data *= LONG / SHORT
    refused(rbm, NORM)
    both = joined(hm.Poisson(2), hm.Poisson(2), None, hm.LowRank(2, 2, rank=2))
    both.coupling.left.data, both.coupling.right.data = -torch.ones(2, 2).double(), torch.ones(2, 2).double()
    both.check_normalisable()
    both.coupling.right.data[:, 0] = -1.0
    refused(both, "must stay below inf")


def test_a_convolution_is_judged_by_its_matrix():
    coupling = hm.Convolutional((1, 3), 1, kernel=2)
    rbm = joined(hm.Gaussian((1, 3), variance=0.5), hm.Gaussian(coupling.hidden), None, coupling)
    coupling.weight.data = torch.tensor([[[0.4, -0.3]]], dtype=torch.float64)
    matrix = oracle.convolution_matrix(coupling.weight.numpy(force=True), (1, 3), (1,), (0,)) / math.sqrt(0.5)
    coupling.weight.data *= SHORT / np.linalg.norm(matrix, 2)
    rbm.check_normalisable()
    coupling.weight.data *= LONG / SHORT
    refused(rbm, NORM)
    other = joined(hm.Bernoulli((1, 3)), hm.Exponential(coupling.hidden), None, hm.Convolutional((1, 3), 1, kernel=2))
    other.coupling.weight.data = torch.tensor([[[0.6, SHORT - 0.6]]], dtype=torch.float64)
    other.check_normalisable()
    other.coupling.weight.data[..., 1] = LONG - 0.6
    refused(other, "must stay below 1")


@pytest.mark.parametrize("exponential_is", ["hidden", "visible"])
def test_a_context_adds_to_what_must_be_borne(exponential_is):
    """A rate of 1, 0.5 from the other layer and up to 0.4 or 0.6 from the contexts: the worst of the cases counts."""
    layers = [hm.Bernoulli(1), hm.Exponential(1)]
    rbm = joined(*(layers if exponential_is == "hidden" else layers[::-1]), None, hm.Conditional(hm.Dense(1, 1), 1))
    rbm.coupling.coupling.weight.data.fill_(0.5)
    rbm.coupling.dynamic[exponential_is].data.fill_(0.2)
    rbm.check_normalisable()
    rbm.check_normalisable(Given(context=torch.tensor([[2.0], [-9.0]])))
    refused(rbm, r"must stay below 1, found 1\.1", Given(context=torch.tensor([[-9.0], [3.0]])))
    refused(rbm, r"must stay below 1, found 1\.1", Given(context=torch.tensor([3.0])))


@pytest.mark.parametrize("visible_is", [True, False])
def test_what_has_no_energy_has_no_partition_function(visible_is):
    layers = [hm.NoisyReLU(2), hm.Bernoulli(2)]
    rbm = hm.RBM(*(layers if visible_is else layers[::-1]))
    for asked in (hm.RBM.check_normalisable, hm.likelihood.exact_log_z, hm.likelihood.ais):
        with pytest.raises(TypeError, match="NoisyReLU units have no joint energy"):
            asked(rbm)
    inside = hm.RBM(hm.Groups(hm.Bernoulli(1), hm.NoisyReLU(1)), hm.Bernoulli(2))
    with pytest.raises(TypeError, match="NoisyReLU"):
        inside.check_normalisable()


def test_weights_that_are_not_numbers_are_refused():
    for layers in ((hm.Gaussian(2), hm.Gaussian(2)), (hm.Bernoulli(2), hm.Exponential(2)), (hm.Poisson(2), hm.Poisson(2))):
        rbm = joined(*layers, 0.0)
        rbm.coupling.weight.data[0, 0] = torch.nan
        refused(rbm, "not all finite")


# Numbers that show where the boundaries lie ------------------------------------------------------------------------------------------


def grid(kind, size):
    """A one-unit layer's states in order, their energies at zero bias and unit variance or rate, and the log measure."""
    x = np.arange(size) if kind in ("poisson", "unbounded_stepped") else np.arange(size) * 0.25
    if kind == "gaussian":
        x = np.stack([x, -x], 1).flatten()[:size]
    part = {"exponential": "exponential", "poisson": "poisson", "gaussian": "gaussian", "truncated": "truncated"}.get(kind, "stepped")
    if part == "stepped":
        energy = x**2 / 2 + np.cumsum(np.log1p(-np.exp(-np.maximum(x, 1)))) - np.log1p(-np.exp(-1.0))
    else:
        energy = oracle.unit_energy(oracle.Part(part, np.zeros(1), variance=np.ones(1)), 0, x)
    return x, energy


@pytest.mark.parametrize(
    ("visible", "hidden", "inside", "outside"),
    [
        ("poisson", "poisson", -0.2, 0.6),
        ("poisson", "gaussian", 0.0, 0.9),
        ("poisson", "gaussian", 0.0, -0.9),
        ("poisson", "unbounded_stepped", -0.2, 0.9),
        ("exponential", "exponential", -0.2, 0.3),
        ("exponential", "gaussian", 0.0, 0.5),
        ("exponential", "gaussian", 0.0, -0.5),
        ("exponential", "truncated", -0.2, 0.5),
        ("truncated", "truncated", 0.9, 1.1),
        ("truncated", "gaussian", -0.9, -1.1),
        ("unbounded_stepped", "truncated", 0.9, 1.1),
        ("unbounded_stepped", "unbounded_stepped", 0.9, 1.1),
        ("gaussian", "gaussian", 0.9, 1.1),
    ],
)
def test_partial_sums_end_or_grow_without_end(visible, hidden, inside, outside):
    """One unit a side, states summed over growing squares: inside the boundary further states add nothing, outside ever more."""
    size = 160
    (v, energy_v), (h, energy_h) = grid(visible, size), grid(hidden, size)
    layers = [{**ENDLESS, **QUADRATIC}[kind]() for kind in (visible, hidden)]
    one = [type(layer)(1) for layer in layers]
    for weight, ends in ((inside, True), (outside, False)):
        terms = -energy_v[:, None] - energy_h[None, :] + weight * np.outer(v, h)
        half, most, whole = (oracle.logsumexp(terms[:part, :part]) for part in (size // 2, 3 * size // 4, size))
        if ends:
            assert whole - half < 1e-4
            joined(*one, weight).check_normalisable()
        else:
            assert min(whole - most, most - half) > 5
            refused(joined(*one, weight), "must")


def test_the_integral_over_an_exponential_unit_ends_below_its_rate():
    x = np.arange(0, 4000.0, 0.5)
    for top, ends in ((SHORT - 0.1, True), (LONG, False)):
        log_terms = -x + top * x
        assert (log_terms[-1] < -100) == ends
        rbm = joined(hm.Bernoulli(2), hm.Exponential(1), [[top], [-1.0]])
        if ends:
            rbm.check_normalisable()
        else:
            refused(rbm, "must stay below 1")


def test_made_kinds_are_what_they_are_called():
    assert [kind_of(made(kind)) for kind in ENDLESS] == list(ENDLESS)
