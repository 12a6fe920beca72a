"""A net that models any distribution over four bits: its distribution once more, by sums over every state of every layer in NumPy."""

import itertools

import numpy as np
import pytest
import torch

from tests.gallery.scripts import run


@pytest.fixture(scope="module")
def found():
    return run("plot_16_universal_approximator")


def states(units):
    return np.array([[n >> k & 1 for k in range(units)] for n in range(2**units)], dtype=float)


def on(states, input):
    """Π σ(input) or σ(-input): p(state | input), (inputs, states)."""
    p = 1 / (1 + np.exp(-input))
    q = 1 / (1 + np.exp(input))
    return np.stack([np.prod(np.where(state == 1, p, q), axis=-1) for state in states], axis=-1)


def distribution(net):
    """p of every data vector, from the independent top layer down, and the widths of the layers."""
    bias = net.top.visible.bias.numpy()
    assert not net.top.coupling.weight.any()
    x, widths = states(len(bias)), [len(bias)]
    p = on(x, bias[None])[0]
    for layer in list(net.generative)[::-1]:
        bias, weight = layer.unit.bias.numpy(), layer.coupling.weight.numpy()
        below = states(len(bias))
        p = p @ on(below, bias + x @ weight.T)
        x = below
        widths.append(len(bias))
    return p, widths


def gray(place):
    return place ^ place >> 1


def test_the_path_changes_one_bit_at_a_time(found):
    path = found["path"].tolist()
    assert sorted(path) == list(range(16))
    assert all((a ^ b).bit_count() == 1 for a, b in itertools.pairwise(path))


def test_any_distribution(found):
    assert found["figures"] == ["probability_on_its_way", "layers_and_weights"]
    draw = np.random.default_rng(5)
    one = np.zeros(16)
    one[6] = 1
    others = [draw.dirichlet(np.full(16, alpha)) for alpha in (0.02, 0.1, 1, 10)] + [one]
    for target in [*(t.numpy() for t in found["targets"].values()), *found["many"].numpy(), *others]:
        p, widths = distribution(found["narrow_net"](torch.tensor(target)))
        assert widths == [5] * 15 + [4]
        assert 0.5 * np.abs(p[[gray(place) for place in range(16)]] - target).sum() < 1e-12

    # Parity is what no pair of bits can tell: all correlations of two are zero.
    parity = found["targets"]["even parity"].numpy()
    vectors = states(4)[[gray(place) for place in range(16)]]
    np.testing.assert_allclose(vectors.T @ (parity[:, None] * vectors), 0.25 + 0.25 * np.eye(4))


def test_depth_and_weights(found):
    many = found["many"].numpy()
    for steps in found["depths"]:
        not_reached = many[:, steps + 1 :].sum(1)
        np.testing.assert_allclose(found["by_depth"][:, steps - 1], not_reached, atol=1e-12)
    for n, weight in enumerate(found["weights"]):
        p, _ = distribution(found["narrow_net"](torch.tensor(many[3]), float(weight)))
        expected = 0.5 * np.abs(p[[gray(place) for place in range(16)]] - many[3]).sum()
        assert found["by_weight"][3, n].item() == pytest.approx(expected, abs=1e-12)
        assert (found["by_weight"][:, n] < 75 * np.exp(-weight) + 1e-13).all()
    assert (found["by_weight"][:, 5] > 1e-5).all()  # weights of 10 are not enough for sure


def test_what_it_generates(found):
    target = found["targets"]["sparse"]
    net = found["narrow_net"](target)
    fantasies = net.generate(4000, steps=1, generator=torch.Generator().manual_seed(0)).round().numpy()
    vectors = states(4)[[gray(place) for place in range(16)]]
    shares = (fantasies[:, None] == vectors).all(-1).mean(0)
    p = target.numpy()
    assert (np.abs(shares - p) < 4.5 * np.sqrt(p * (1 - p) / 4000) + 1e-9).all()
