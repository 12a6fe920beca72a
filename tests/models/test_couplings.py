"""Every kind of unit through every coupling: Bayes' rule, gradients, and the oracle with the coupling's matrix spelt out."""

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.units import Given
from tests import oracle

from .machines import LAYERS, VISIBLE_ALONE, close, given, kind_of, made, names, parts, randomise, samples
from .test_against_oracle import bayes
from .test_gradient import agree, autograd, closed, drawn_weights

CASES, CONTEXT = 4, 2
SHAPED = {
    "bernoulli": lambda shape: hm.Bernoulli(shape, bias_shape=(shape[0], 1)),
    "gaussian": lambda shape: hm.Gaussian(shape, bias_shape=(shape[0], 1), learn_variance=False),
    "learnt_gaussian": lambda shape: hm.Gaussian(shape, learn_variance=True, variance_shape=(shape[0], 1)),
    "spin": lambda shape: hm.Spin(shape, bias_shape=(shape[0], 1)),
    "binomial": lambda shape: hm.Binomial(shape, copies=2, bias_shape=(shape[0], 1)),
    "stepped": lambda shape: hm.SteppedSigmoid(shape, copies=2, bias_shape=(shape[0], 1)),
    "unbounded_stepped": lambda shape: hm.SteppedSigmoid(shape),
    "poisson": lambda shape: hm.Poisson(shape, bias_shape=(shape[0], 1)),
    "exponential": lambda shape: hm.Exponential(shape, bias_shape=(shape[0], 1)),
    "truncated": lambda shape: hm.TruncatedGaussian(shape, bias_shape=(shape[0], 1), learn_variance=False),
    "learnt_truncated": lambda shape: hm.TruncatedGaussian(shape, learn_variance=True),
    "pooled": lambda shape: hm.PooledBlocks(shape, pool=(2,)),
}
PAIRS = {(kind, "bernoulli") for kind in [*LAYERS, *VISIBLE_ALONE]} | {("bernoulli", kind) for kind in LAYERS}
SHAPED_PAIRS = {(kind, "bernoulli") for kind in SHAPED} | {("bernoulli", kind) for kind in SHAPED}
EACH = [
    *((v, h, coupling) for v, h in sorted(PAIRS) for coupling in ("low rank", "conditional")),
    *((v, h, "convolutional") for v, h in sorted(SHAPED_PAIRS)),
    *((v, h, "conditional convolutional") for v, h in sorted(SHAPED_PAIRS)[::4]),
]
each = pytest.mark.parametrize(("visible", "hidden", "wiring"), EACH)


def coupled(visible, hidden, wiring, *, larger=False):
    """A random float64 RBM. Convolutions run over three or, towards endless units, two places; larger ones over six, of two channels."""
    draw = np.random.default_rng([*map(ord, visible + hidden + wiring)])
    if "convolutional" in wiring:
        if larger:
            convolution = hm.Convolutional((2, 6), 2, kernel=3, stride=2, padding=2)
        elif hidden == "bernoulli":
            convolution = hm.Convolutional((1, 2), 1, kernel=2, padding=1)
        else:
            convolution = hm.Convolutional((1, 3), 1, kernel=2)
        units, coupling = (SHAPED[visible](convolution.visible), SHAPED[hidden](convolution.hidden)), convolution
    else:
        units = made(visible), made(hidden)
        sizes = [unit.statistic_shape for unit in units]
        coupling = hm.LowRank(*sizes, rank=2) if wiring == "low rank" else hm.Dense(*sizes)
    if "conditional" in wiring:
        coupling = hm.Conditional(coupling, CONTEXT)
    rbm = hm.RBM(*units, coupling).double()
    for unit in units:
        randomise(unit, draw)
    if rbm.visible.scales_hidden_bias:
        rbm.hidden.bias_from_coupling()
    size = 0.1 if "exponential" in (*names(units[0]), *names(units[1])) else 0.4
    for parameter in rbm.coupling.parameters():
        parameter.data = torch.tensor(size * np.tanh(draw.normal(size=parameter.shape)))
    return rbm


def side(rbm, cases):
    """What each case is given: a context, a document's length."""
    found = given(rbm.visible, cases)
    if isinstance(rbm.coupling, hm.Conditional):
        return Given(length=found.length, context=torch.tensor(np.random.default_rng(9).normal(size=(cases, CONTEXT))))
    return found


def matrix(coupling):
    """The weights between the flattened statistics, from the coupling's own parameters."""
    if isinstance(coupling, hm.Conditional):
        return matrix(coupling.coupling)
    if isinstance(coupling, hm.LowRank):
        return coupling.left.detach().numpy() @ coupling.right.detach().numpy()
    if isinstance(coupling, hm.Convolutional):
        return oracle.convolution_matrix(coupling.weight.detach().numpy(), coupling.visible, coupling.stride, coupling.padding)
    return coupling.weight.detach().numpy()


def plain(rbm, context=None):
    """The oracle's machine, under one context."""
    shifts = [0.0, 0.0]
    if context is not None:
        shifts = [context.numpy() @ rbm.coupling.dynamic[one].detach().numpy() for one in ("visible", "hidden")]
    return oracle.Machine(parts(rbm.visible), parts(rbm.hidden), matrix(rbm.coupling), *shifts)


def states(rbm, cases=CASES):
    return torch.tensor(samples(rbm.visible, cases, 1)), torch.tensor(samples(rbm.hidden, cases, 2))


@each
def test_bayes(visible, hidden, wiring):
    rbm = coupled(visible, hidden, wiring, larger=True)
    bayes(rbm, *states(rbm), side(rbm, CASES))


@each
def test_gradient(visible, hidden, wiring):
    """With a document's length and contexts, one leading axis and two, weighted or not."""
    rbm = coupled(visible, hidden, wiring, larger=True)
    v, _ = states(rbm, 6)
    context = side(rbm, 6)
    agree(closed(rbm, v, context), autograd(rbm, v, torch.ones(6), context))
    weights = drawn_weights(2, 3)
    v, context = v.reshape(2, 3, *rbm.visible.shape), context.map(lambda x: x.reshape(2, 3, *x.shape[1:]))
    agree(closed(rbm, v, context, weights=weights, scale=0.3), autograd(rbm, v, 0.3 * weights, context))


@each
def test_against_the_oracle(visible, hidden, wiring):
    rbm = coupled(visible, hidden, wiring)
    v, h = states(rbm)
    context = side(rbm, CASES)
    rbm.check_normalisable(context)
    contexts = [None] * CASES if context.context is None else context.context
    flat_v, flat_h = v.flatten(1).numpy(), h.flatten(1).numpy()
    means, variances = rbm.hidden_mean(v, context).flatten(1), rbm.hidden.variance(rbm.hidden_input(v, context)).flatten(1)
    down, spread = rbm.visible_mean(h, context).flatten(1), rbm.visible.variance(rbm.visible_input(h, context), context).flatten(1)
    for n, one in enumerate(contexts):
        exact, row = plain(rbm, one), slice(n, n + 1)
        close(rbm.energy(v, h, context)[row], oracle.energies(exact, flat_v[row], flat_h[row])[0])
        close(rbm.free_energy(v, context)[row], oracle.free_energy(exact, flat_v[row]))
        close(rbm.hidden_free_energy(h, context)[row], oracle.free_energy(exact.flipped(), flat_h[row]))
        close(torch.stack([means[n], variances[n]])[:, None], np.stack(oracle.hidden_moments(exact, flat_v[row])))
        close(torch.stack([down[n], spread[n]])[:, None], np.stack(oracle.hidden_moments(exact.flipped(), flat_h[row])))
    first = context.map(lambda x: x[0])
    close(hm.likelihood.exact_log_z(rbm, given=first), oracle.log_z(plain(rbm, contexts[0])))


@pytest.mark.parametrize("hidden", ["gaussian", "gaussian_bernoulli"])
def test_log_z_of_two_real_layers_under_a_context(hidden):
    rbm = coupled("learnt_gaussian", hidden, "conditional")
    for one in side(rbm, CASES).context:
        close(hm.likelihood.exact_log_z(rbm, given=Given(context=one)), oracle.log_z(plain(rbm, one)))


def test_every_kind_that_has_a_shape_is_convolved():
    flat = {"softmax", "words"}  # and groups, which have no axes to move a kernel along
    assert {kind_of(made(kind)) for kind in LAYERS if len(names(kind)) == 1} - flat == {kind_of(make((1, 2))) for make in SHAPED.values()}


@pytest.mark.parametrize("model", [lambda: hm.RBM(3, 2, "dense"), lambda: hm.MixtureOfRBMs(3, 2, coupling="dense")])
def test_what_is_no_coupling_is_refused(model):
    with pytest.raises(TypeError, match=r"a coupling is an object such as hm.Dense\(784, 500\), found 'dense'"):
        model()


def test_a_coupling_has_the_shapes_of_its_layers():
    with pytest.raises(ValueError, match=r"expects statistics of shapes \(4,\) and \(2,\), and the layers' are \(3,\) and \(2,\)"):
        hm.RBM(3, 2, hm.Dense(4, 2))


def test_dense_couplings_have_the_type_of_the_layers_that_they_join():
    assert {parameter.dtype for parameter in hm.DBM([hm.Bernoulli(units).double() for units in (3, 2, 2)]).parameters()} == {torch.float64}
