"""Classifiers unrolled from deep belief nets, against NumPy."""

import itertools

import numpy as np
import pytest
import torch

import harmonium as hm
from tests.models.machines import close, randomise


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def stack(*layers, seed=0):
    draw, rbms = np.random.default_rng(seed), []
    for below, above in itertools.pairwise(layers):
        rbms.append(hm.RBM(below() if not rbms else below().as_visible_layer(), above()).double())
        randomise(rbms[-1].visible, draw)
        randomise(rbms[-1].hidden, draw)
        rbms[-1].coupling.weight.data = torch.tensor(draw.normal(size=rbms[-1].coupling.weight.shape))
    return hm.DBN(rbms)


def array(tensor):
    return tensor.detach().numpy()


BOTTOMS = {
    "bernoulli": lambda: hm.Bernoulli(6),
    "gaussian": lambda: hm.Gaussian(6),
    "softmax": lambda: hm.Softmax(2, categories=3),
    "groups": lambda: hm.Groups(hm.Gaussian(2), hm.Bernoulli(4)),
    "image": lambda: hm.Bernoulli((2, 3)),
}


@pytest.mark.parametrize("bottom", BOTTOMS)
def test_outputs(bottom):
    """Sigmoids of the recognition weights, then the new layer; a Gaussian pixel is divided by its variance."""
    dbn = stack(BOTTOMS[bottom], lambda: hm.Bernoulli(5), lambda: hm.Bernoulli(4))
    net = hm.nets.classifier(dbn, 3, seed=2)
    x = np.random.default_rng(1).normal(size=(7, 6))
    divided = x.copy()
    if bottom == "gaussian":
        divided = x / array(dbn.rbms[0].visible.log_variance.exp())
    elif bottom == "groups":
        divided[:, :2] = x[:, :2] / array(dbn.rbms[0].visible.parts[0].log_variance.exp())
    first, second = dbn.rbms
    h = sigmoid(divided @ array(first.coupling.weight) + array(first.hidden.bias))
    h = sigmoid(h @ array(second.coupling.weight) + array(second.hidden.bias))
    close(net(torch.tensor(x)), h @ array(net[-1].weight).T + array(net[-1].bias), 1e-10)
    assert [type(module) for module in net[1:]] == [torch.nn.Linear, torch.nn.Sigmoid, torch.nn.Linear, torch.nn.Sigmoid, torch.nn.Linear]


def test_linear_and_shared_hidden_units():
    dbn = stack(lambda: hm.Bernoulli(6), lambda: hm.Gaussian(4, bias_shape=(1,)), lambda: hm.Bernoulli((2, 2), bias_shape=(2, 1)))
    net = hm.nets.classifier(dbn, 2)
    first, second = dbn.rbms
    x = np.random.default_rng(1).integers(2, size=(5, 6)).astype(float)
    h = x @ array(first.coupling.weight) + array(first.hidden.bias)
    h = h / array(second.visible.log_variance.exp()) @ array(second.coupling.weight) + np.repeat(array(second.hidden.bias)[:, 0], 2)
    close(net(torch.tensor(x)), sigmoid(h) @ array(net[-1].weight).T, 1e-10)


def test_the_new_layer_is_drawn_with_the_seed():
    dbn = stack(lambda: hm.Bernoulli(6), lambda: hm.Bernoulli(2000))
    heads = [hm.nets.classifier(dbn, 10, seed=seed, scale=0.3)[-1] for seed in (0, 0, 1)]
    assert torch.equal(heads[0].weight, heads[1].weight)
    assert not torch.equal(heads[0].weight, heads[2].weight)
    assert heads[0].weight.std().item() == pytest.approx(0.3, rel=0.02)
    assert not heads[0].bias.any()


def test_training_the_net_leaves_the_deep_belief_net_alone():
    dbn = stack(lambda: hm.Bernoulli(6), lambda: hm.Bernoulli(4))
    before = dbn.rbms[0].coupling.weight.detach().clone()
    net = hm.nets.classifier(dbn, 2)
    net[1].weight.data.zero_()
    assert torch.equal(dbn.rbms[0].coupling.weight, before)


def test_what_has_no_feed_forward_layer_is_refused():
    with pytest.raises(TypeError, match="Softmax hidden"):
        hm.nets.classifier(stack(lambda: hm.Bernoulli(6), lambda: hm.Softmax(2, categories=2)), 2)
    with pytest.raises(ValueError, match="two classes"):
        hm.nets.classifier(stack(lambda: hm.Bernoulli(6), lambda: hm.Bernoulli(4)), 1)


def test_dropout_keeps_the_mean_and_its_own_generator():
    dropout = hm.nets.Dropout(0.3)
    dropout.generator.manual_seed(0)
    x = torch.ones(200, 500)
    dropped = dropout(x)
    values = torch.unique(dropped)
    torch.testing.assert_close(values, torch.tensor([0.0, 1 / 0.7]))
    assert abs((dropped == 0).double().mean().item() - 0.3) < 4 * np.sqrt(0.21 / 1e5)
    dropout.eval()
    assert torch.equal(dropout(x), x)
    with pytest.raises(ValueError, match="below 1"):
        hm.nets.Dropout(1.0)


def test_dropout_stands_where_it_is_asked_for():
    net = hm.nets.classifier(stack(lambda: hm.Bernoulli(6), lambda: hm.Bernoulli(4)), 2, dropout=0.5, input_dropout=0.2)
    assert [module.p for module in net if isinstance(module, hm.nets.Dropout)] == [0.2, 0.5]
    assert isinstance(net[1], hm.nets.Dropout)
    assert isinstance(net[4], hm.nets.Dropout)


RECTIFIED = {
    "noisy": (lambda: hm.NoisyReLU(5), None),
    "capped": (lambda: hm.NoisyReLU(5, noise="unit", cap=0.8), 0.8),
    "truncated": (lambda: hm.TruncatedGaussian(5, variance=0.5), None),
    "stepped": (lambda: hm.SteppedSigmoid(5), None),
    "copies": (lambda: hm.SteppedSigmoid(5, copies=1), 1),
}


@pytest.mark.parametrize("kind", RECTIFIED)
def test_rectified_hidden_units_are_rectified_without_noise(kind):
    make, cap = RECTIFIED[kind]
    dbn = stack(lambda: hm.Gaussian(6), make, lambda: hm.Spin(4))
    net = hm.nets.classifier(dbn, 3, seed=2)
    first, second = dbn.rbms
    x = np.random.default_rng(1).normal(size=(7, 6))
    inputs = x / array(first.visible.log_variance.exp()) @ array(first.coupling.weight) + array(first.hidden.bias)
    assert (inputs < 0).any()
    assert (inputs > 1).any()
    h = np.clip(inputs, 0, cap)
    if kind == "truncated":
        h = h / array(second.visible.log_variance.exp())
    h = np.tanh(h @ array(second.coupling.weight) + array(second.hidden.bias))
    close(net(torch.tensor(x)), h @ array(net[-1].weight).T, 1e-10)
    assert [type(module) for module in net[2::2]] == [torch.nn.ReLU if cap is None else torch.nn.Hardtanh, torch.nn.Tanh]


def test_documents_are_fed_as_counts():
    """The length, which the coupling's last row meets, is the sum of the counts."""
    rbm = hm.RBM(hm.ReplicatedSoftmax(4), hm.Bernoulli(3)).double()
    rbm.coupling.weight.data = torch.tensor(np.random.default_rng(0).normal(size=(5, 3)))
    net = hm.nets.classifier(hm.DBN([rbm]), 2)
    counts = torch.tensor([[1, 0, 2, 0], [0, 5, 0, 3]], dtype=torch.float64)
    close(net[:3](counts), rbm.hidden_mean(counts).detach().numpy(), 1e-12)


def test_label_units_are_left_out():
    joint = hm.RBM(hm.Groups(hm.Bernoulli(4), hm.Softmax(1, categories=3)), hm.Bernoulli(5), hm.Dense(7, 5, scale=1.0))
    dbn = hm.DBN([hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), hm.Dense(6, 4, scale=1.0)), joint], labels=True).untie()
    x = torch.rand(8, 6, generator=torch.Generator().manual_seed(0))
    net = hm.nets.classifier(dbn, classes=3)
    top = torch.cat([dbn.up(x), torch.zeros(8, 3)], dim=1)
    torch.testing.assert_close(net[:-1](x), dbn.top.hidden_mean(top))
