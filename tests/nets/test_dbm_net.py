"""The net of a deep Boltzmann machine against its mean field."""

from functools import partial

import numpy as np
import pytest
import torch

import harmonium as hm
from tests.models.machines import close, randomise

DRAW = np.random.default_rng(5)


def machine(*layers: hm.Unit, low_rank: bool = False) -> hm.DBM:
    couplings = [hm.LowRank(layers[0].statistic_shape, layers[1].shape, rank=3), *[None] * (len(layers) - 2)] if low_rank else None
    dbm = hm.DBM(layers, couplings).double()
    for coupling in dbm.couplings:
        for parameter in coupling.parameters():
            parameter.data = torch.tensor(DRAW.normal(size=parameter.shape) * 0.8)
    for layer in dbm.layers:
        randomise(layer, DRAW)
    return dbm


MACHINES = {
    "two layers": lambda: machine(hm.Bernoulli(6), hm.Bernoulli(5), hm.Bernoulli(4)),
    "real-valued data": lambda: machine(hm.Gaussian(6), hm.Bernoulli(5), hm.Spin(4)),
    "three layers": lambda: machine(hm.Bernoulli(6), hm.Bernoulli(5), hm.Bernoulli(4), hm.Bernoulli(3)),
    "four layers, low rank": lambda: machine(hm.Bernoulli(6), hm.Bernoulli(5), hm.Spin(4), hm.Bernoulli(3), hm.Bernoulli(2), low_rank=True),
    "one hidden layer": lambda: machine(hm.Bernoulli(6), hm.Bernoulli(5)),
}


def data(dbm: hm.DBM) -> torch.Tensor:
    return dbm.visible.sample(dbm.visible.zero_input(7), generator=torch.Generator().manual_seed(0)).detach()


@pytest.mark.parametrize("name", MACHINES)
def test_its_activations_are_one_mean_field_update_of_each_layer(name: str) -> None:
    """From below the layer as the net has just updated it, from above the means that come with the inputs."""
    dbm = MACHINES[name]()
    v = data(dbm)
    inputs = hm.nets.dbm_inputs(dbm, v, sweeps=3, tolerance=None)
    means = [v, *dbm.hidden_mean(v, sweeps=3, tolerance=None)]
    assert torch.equal(inputs, torch.cat([v, *means[2:]], 1))
    below, top = v, len(means) - 1
    for layer in range(1, top + 1):
        input = dbm.couplings[layer - 1].to_hidden(dbm.layers[layer - 1].statistic(below))
        if layer < top:
            input = input + dbm.couplings[layer].to_visible(dbm.layers[layer + 1].statistic(means[layer + 1]))
        below = dbm.layers[layer].mean(input)
    net = hm.nets.classifier(dbm, 3)
    close(net[:-1](inputs), below.detach().numpy(), 1e-12)


def test_the_published_net_written_out() -> None:
    """h1 = σ(W1' v + W2 q2 + b1), h2 = σ(W2' h1 + b2), which is the even half of the machine's next sweep (Salakhutdinov & Hinton 2009)."""
    dbm = MACHINES["two layers"]()
    v = data(dbm)
    inputs = hm.nets.dbm_inputs(dbm, v, sweeps=2, tolerance=None)
    net = hm.nets.classifier(dbm, 3)
    (w1, w2), (_, b1, b2) = ([c.weight for c in dbm.couplings], [u.bias for u in dbm.layers])
    h1 = torch.sigmoid(v @ w1 + inputs[:, 6:] @ w2.T + b1)
    close(net[:3](inputs), h1.detach().numpy(), 1e-12)
    close(net[:3](inputs), dbm.hidden_mean(v, sweeps=2, tolerance=None)[0].detach().numpy(), 1e-12)
    close(net[:5](inputs), dbm.hidden_mean(v, sweeps=3, tolerance=None)[1].detach().numpy(), 1e-12)
    close(net[:5](inputs), torch.sigmoid(h1 @ w2 + b2).detach().numpy(), 1e-12)


@pytest.mark.parametrize("name", ["two layers", "three layers"])
def test_where_mean_field_has_settled_the_net_has_its_means(name: str) -> None:
    dbm = MACHINES[name]()
    v = data(dbm)
    means = dbm.hidden_mean(v, sweeps=2000, tolerance=1e-14)
    inputs = hm.nets.dbm_inputs(dbm, v, sweeps=2000, tolerance=1e-14)
    close(hm.nets.classifier(dbm, 3)[:-1](inputs), means[-1].detach().numpy(), 1e-10)


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_it_learns_and_comes_back_from_its_file(dropout: float, tmp_path: object) -> None:
    dbm = hm.DBM([hm.Bernoulli(6, values="probabilities"), hm.Bernoulli(9), hm.Bernoulli(8), hm.Bernoulli(7)])
    for coupling in dbm.couplings:
        coupling.weight.data *= 100.0
    grey = torch.randint(0, 256, (40, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    inputs, labels = hm.nets.dbm_inputs(dbm, grey), (grey[:, 0] > 127).long()
    torch.testing.assert_close(inputs[:, :6], grey.float() / 255)
    net = hm.nets.classifier(dbm, 2, dropout=dropout, input_dropout=dropout)
    adam = partial(torch.optim.Adam, lr=0.02)
    state = hm.fine_tune(net, inputs, labels, optimizer=adam, epochs=80, batch_size=20, max_norm=9.0, progress=False)
    assert len(state.history) == 80
    assert (hm.predict(net, inputs).argmax(1) != labels).float().mean() < 0.3
    hm.save(net, tmp_path / "net")  # type: ignore[operator]
    assert torch.equal(hm.load(tmp_path / "net")(inputs), net(inputs))  # type: ignore[operator]
    with pytest.raises(ValueError, match=r"\(cases, 21\)"):
        hm.fine_tune(net, grey.float() / 255, labels, progress=False)


def test_data_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="expect 0 or 1, found values from 3"):
        hm.nets.dbm_inputs(MACHINES["two layers"](), torch.full((2, 6), 3.0))
    with pytest.raises(ValueError, match=r"6"):
        hm.nets.dbm_inputs(MACHINES["two layers"](), torch.zeros(2, 5))


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_replicas_of_them_learn_as_alone(dropout: float) -> None:
    dbm = MACHINES["four layers, low rank"]()
    inputs, labels = hm.nets.dbm_inputs(dbm, data(dbm)), torch.arange(7) % 2
    nets = [hm.nets.classifier(dbm, 2, seed=seed, dropout=dropout) for seed in range(2)]
    many = hm.Replicas(nets)
    expected = torch.stack([net.eval()(inputs) for net in nets])
    close(many.eval()(inputs.expand(2, 7, -1)), expected.detach().numpy(), 1e-12)
    sgd = {"epochs": 3, "head_epochs": 1, "batch_size": 7, "progress": False}
    hm.fine_tune(many, inputs, labels, seed=[0, 0], **sgd)
    for replica, net in enumerate(nets if not dropout else []):
        hm.fine_tune(net, inputs, labels, seed=0, **sgd)
        for name, parameter in net.named_parameters():
            torch.testing.assert_close(many.take(replica).get_parameter(name), parameter, rtol=1e-9, atol=1e-12)


def test_another_model_is_refused() -> None:
    with pytest.raises(TypeError, match="the inputs of a deep Boltzmann machine's net, found RBM"):
        hm.nets.dbm_inputs(hm.RBM(6, 4), torch.eye(6))
