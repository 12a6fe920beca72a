"""Nets unrolled from every kind of stack, against the features of the models themselves and against NumPy."""

import copy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import harmonium as hm
from harmonium.learning import features
from tests.models.machines import close, randomise

DRAW = np.random.default_rng(3)


def drawn(model: nn.Module, scale: float = 0.7) -> nn.Module:
    """Weights that matter, of float64."""
    model = model.double()
    for parameter in model.parameters():
        parameter.data = torch.tensor(DRAW.normal(size=parameter.shape) * scale)
    for module in model.modules():
        if isinstance(module, hm.Unit):
            randomise(module, DRAW)
        if isinstance(module, hm.PooledBlocks):
            module.bias.data -= 2.5  # else some unit of almost every block is on
    return model


def top(net: nn.Sequential, x: torch.Tensor) -> torch.Tensor:
    """What the new layer sees."""
    return net.eval()[:-1](x)


def image(unit: hm.Unit, cases: int = 4) -> torch.Tensor:
    return unit.sample(unit.zero_input(cases), generator=torch.Generator().manual_seed(1)).detach()


def dense() -> hm.DBN:
    return hm.DBN([hm.RBM(6, 5), hm.RBM(5, 4)])


def low_rank() -> hm.DBN:
    return hm.DBN([hm.RBM(hm.Gaussian(6), hm.Bernoulli(5), hm.LowRank(6, 5, rank=2)), hm.RBM(hm.Bernoulli(5), hm.Spin(4))])


def documents() -> hm.DBN:
    return hm.DBN([hm.RBM(hm.ReplicatedSoftmax(6), hm.Bernoulli(5), hm.LowRank(7, 5, rank=3))])


def pooled(bias_shape: tuple[int, ...] | None = None, visible: hm.Unit | None = None) -> hm.DBN:
    """Two convolutional layers of pooled blocks, then a dense one."""
    visible = visible or hm.Bernoulli((2, 10, 9))
    first = hm.Convolutional((2, 10, 9), 3, kernel=(3, 2), padding=(0, 1), stride=(1, 1))
    below = hm.RBM(visible, hm.PooledBlocks(first.hidden, pool=(2, 5), bias_shape=bias_shape), first)
    second = hm.Convolutional((3, 4, 2), 4, kernel=1)
    between = hm.RBM(hm.Bernoulli((3, 4, 2), values="probabilities"), hm.PooledBlocks(second.hidden, pool=(2, 2)), second)
    return hm.DBN([below, between, hm.RBM(hm.Bernoulli((4, 2, 1), values="probabilities"), hm.Bernoulli(6))])


def signal() -> hm.DBN:
    coupling = hm.Convolutional((2, 12), 3, kernel=4, stride=2)
    return hm.DBN([hm.RBM(hm.Bernoulli((2, 12)), hm.Bernoulli(coupling.hidden), coupling), hm.RBM(hm.Bernoulli((3, 5)), hm.Bernoulli(4))])


STACKS = {
    "dense": dense,
    "low rank, real-valued": low_rank,
    "low rank, documents": documents,
    "pooled, a bias for each unit": pooled,
    "pooled, a bias for each channel": lambda: pooled((3, 1, 1)),
    "pooled, a bias for all": lambda: pooled((1,)),
    "pooled, a bias for each column": lambda: pooled((1, 1, 10)),
    "pooled, a variance for each pixel": lambda: pooled(visible=hm.Gaussian((2, 10, 9), learn_variance=True)),
    "signal": signal,
    "pooled, flat": lambda: hm.DBN([hm.RBM(hm.Bernoulli(6), hm.PooledBlocks(8, pool=2))]),
}


@pytest.mark.parametrize("name", STACKS)
def test_the_layers_are_the_features_of_the_stack(name: str) -> None:
    dbn = drawn(STACKS[name]())
    x = torch.tensor([[1, 0, 2, 0, 1, 1], [0, 4, 0, 0, 0, 3.0]]).double() if name == "low rank, documents" else image(dbn.visible)
    expected = features(x, *dbn.rbms)
    assert expected.std(0).max() > 1e-3
    net = hm.nets.classifier(dbn, 3, seed=2)
    close(top(net, x.flatten(1)), expected.flatten(1).detach().numpy(), 1e-10)
    assert net(x.flatten(1)).shape == (len(x), 3)


def test_a_pooled_unit_is_on_where_any_of_its_block_is() -> None:
    """Σ exp / (1 + Σ exp) over each block of 2 x 2, written out."""
    x = DRAW.normal(size=(3, 2, 4, 6)) * 3
    blocks = np.exp(x).reshape(3, 2, 2, 2, 3, 2).sum((3, 5))
    close(hm.nets.BlockPooling((2, 2))(torch.tensor(x)), blocks / (1 + blocks), 1e-12)
    total = torch.tensor([[1000.0, 0.0, -1000.0, -1000.0]], requires_grad=True)
    huge = hm.nets.BlockPooling((2,))(total)
    assert torch.equal(huge, torch.tensor([[1.0, 0.0]]))
    huge.sum().backward()
    assert torch.equal(total.grad, torch.zeros(1, 4))


@pytest.mark.parametrize("pool", [(2, 3), (3,)])
def test_a_pooling_has_its_gradient_and_the_gradient_of_that(pool: tuple[int, ...]) -> None:
    """Against finite differences, for maps that lie in memory either way; and over replicas."""
    pooling = hm.nets.BlockPooling(pool)
    x = torch.tensor(DRAW.normal(size=(2, 3, 4, 6)))
    for order in (torch.contiguous_format, torch.channels_last):
        own = x.clone(memory_format=order).requires_grad_()
        assert torch.autograd.gradcheck(pooling, own)
        assert torch.autograd.gradgradcheck(pooling, own)
        assert pooling(own).is_contiguous(memory_format=order)
    (expected,) = torch.autograd.grad(pooling(own).square().sum(), own)
    each = torch.func.vmap(torch.func.grad(lambda one: pooling(one).square().sum()))(x)
    assert torch.equal(each, expected)


def test_an_exported_pooled_net_gives_the_same_numbers() -> None:
    dbn = drawn(pooled((3, 1, 1)))
    net, x = hm.nets.classifier(dbn, 3).eval(), image(dbn.visible, 5).flatten(1)
    graph = torch.export.export(net, (x[:2],), dynamic_shapes=({0: torch.export.Dim("cases", min=1)},)).module()
    assert torch.equal(graph(x), net(x))


def test_a_rare_pooled_unit_is_as_exact_as_the_precision() -> None:
    rare = hm.nets.BlockPooling((2, 1))(torch.full((1, 2, 3), -60.0))
    close(rare.double(), np.full((1, 1, 3), 2 * np.exp(-60.0)), 1e-7 * np.exp(-60.0))


@pytest.mark.parametrize("shape", [(1, 3, 4), (4,)])
def test_what_does_not_divide_into_blocks_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"blocks of \(2, 2\) must divide the last axes of the input, found \("):
        hm.nets.BlockPooling((2, 2))(torch.zeros(shape))


def test_a_machine_alone_is_a_stack_of_one() -> None:
    rbm = drawn(hm.RBM(hm.Gaussian(6), hm.Bernoulli(5)))
    x = image(rbm.visible)
    close(top(hm.nets.classifier(rbm, 3), x), rbm.hidden_mean(x).detach().numpy(), 1e-12)
    assert hm.nets.feed_forward(rbm, 2)(x).shape == (4, 2)
    one, other = hm.nets.classifier(rbm, 3), hm.nets.classifier(hm.DBN([rbm]), 3)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_maps_go_from_one_convolution_to_the_next() -> None:
    names = [type(module).__name__ for module in hm.nets.classifier(pooled((3, 1, 1)), 3, dropout=0.5)]
    first = ["Visible", "Unflatten", "Conv2d", "BlockPooling", "Flatten", "Dropout"]
    second = ["Unflatten", "Conv2d", "Flatten", "UnitBiases", "Unflatten", "BlockPooling", "Flatten", "Dropout"]
    assert names == [*first, *second, "Linear", "Sigmoid", "Dropout", "Linear"]


@pytest.mark.parametrize("name", ["pooled, a variance for each pixel", "pooled, a bias for each channel", "low rank, real-valued"])
def test_they_learn_and_come_back_from_their_files(name: str, tmp_path: Path) -> None:
    dbn = drawn(STACKS[name](), 0.3)
    before = copy.deepcopy(dbn)
    labels = torch.arange(30) % 2
    x = image(dbn.visible, 2).flatten(1)[labels]
    x[:, :5] = image(dbn.visible, 30).flatten(1)[:, :5]
    net = hm.nets.classifier(dbn, 2, dropout=0.1)
    adam = partial(torch.optim.Adam, lr=0.03)
    state = hm.fine_tune(net, x, labels, optimizer=adam, epochs=40, head_epochs=1, batch_size=10, max_norm=4.0, progress=False)
    assert state.history[-1]["train_loss"] < 0.6 * state.history[0]["train_loss"]
    hm.save(net, tmp_path / "net")
    again = hm.load(tmp_path / "net")
    assert repr(again) == repr(net)
    assert torch.equal(again(x), net(x))
    assert [each.stride() for each in again.parameters()] == [each.stride() for each in net.parameters()]
    assert all(torch.equal(one, other) for one, other in zip(dbn.parameters(), before.parameters(), strict=True))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "fused", [partial(hm.MomentumSGD, lr=0.05, momentum=0.9), partial(torch.optim.Adam, lr=0.05, fused=True)], ids=["momentum", "Adam"]
)
def test_convolutions_go_on_from_a_checkpoint_to_the_same_bits(fused: Any, precision: Any, tmp_path: Path) -> None:
    """Fused kernels read a state in the order in which it lies in memory, and a file has but one."""
    x, labels = image(pooled().visible, 40).flatten(1).float(), torch.arange(40) % 3
    settings = {"optimizer": fused, "batch_size": 10, "head_epochs": 1, "precision": precision, "progress": False}
    nets = [hm.nets.classifier(pooled((1,)), 3) for _ in range(3)]
    hm.fine_tune(nets[0], x, labels, epochs=4, **settings)
    for net, epochs in zip(nets[1:], (2, 4), strict=True):
        hm.fine_tune(net, x, labels, epochs=epochs, checkpoint=tmp_path / "c", **settings)
    assert all(torch.equal(one, other) for one, other in zip(nets[0].parameters(), nets[2].parameters(), strict=True))


def test_what_has_no_net_is_refused_by_a_sentence() -> None:
    with pytest.raises(TypeError, match="dense, low-rank or convolutional coupling, found Conditional"):
        hm.nets.classifier(hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), hm.Conditional(hm.Dense(6, 4), 2)), 2)
    with pytest.raises(TypeError, match="from an RBM, a deep belief net or a deep Boltzmann machine, found BoltzmannMachine"):
        hm.nets.classifier(hm.BoltzmannMachine(hm.Bernoulli(3), hm.Bernoulli(2)), 2)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Softmax hidden"):
        hm.nets.classifier(hm.RBM(hm.Bernoulli(6), hm.Softmax(2, categories=2)), 2)
