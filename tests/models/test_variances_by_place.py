"""Whether a variance is learnt where nothing says so: the place of the layer in a machine decides, once."""

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.files import read_tensors, write_tensors
from harmonium.models import swap_layers

KINDS = pytest.mark.parametrize("kind", [hm.Gaussian, hm.TruncatedGaussian])
Kind = type[hm.Gaussian] | type[hm.TruncatedGaussian]


def learnt(unit: torch.nn.Module) -> bool:
    """Whether the variance is among the parameters that an optimiser would be given, or else a constant."""
    names, constants = ({name for name, _ in found()} for found in (unit.named_parameters, unit.named_buffers))
    assert ("log_variance" in names) != ("log_variance" in constants)
    return "log_variance" in names


@KINDS
def test_a_visible_layer_learns_and_a_hidden_one_does_not(kind: Kind) -> None:
    alone = kind(3)
    assert not learnt(alone)
    rbm = hm.RBM(alone, kind(2))
    assert learnt(rbm.visible)
    assert not learnt(rbm.hidden)
    assert rbm.visible.statistic_is_learnt
    assert not rbm.hidden.statistic_is_learnt
    mixed = hm.RBM(hm.Groups(hm.Bernoulli(2), hm.Groups(kind(3))), hm.Groups(kind(2), hm.Bernoulli(1)))
    assert [name for name, _ in mixed.named_parameters() if "variance" in name] == ["visible.parts.1.parts.0.log_variance"]
    frames = hm.RBM(kind(3), hm.Bernoulli(2), hm.Conditional(hm.Dense(3, 2), 2))
    assert learnt(frames.visible)


@KINDS
def test_whoever_names_a_variance_gets_it(kind: Kind) -> None:
    for named, expected in (
        ({"variance": 1.0}, False),
        ({"variance": 4.0}, False),
        ({"learn_variance": False}, False),
        ({"learn_variance": True}, True),
        ({"variance": 4.0, "learn_variance": True}, True),
    ):
        rbm = hm.RBM(kind(3, **named), kind(2, **named))
        assert learnt(rbm.visible) == learnt(rbm.hidden) == expected
        torch.testing.assert_close(rbm.visible.log_variance.detach().exp(), torch.full((3,), named.get("variance", 1.0)))
        assert learnt(rbm.hidden.as_visible_layer()) == expected
    assert learnt(hm.RBM(kind(3, variance_shape=(1,)), 2).visible)
    with pytest.raises(ValueError, match="must be a positive number, found 0"):
        kind(3, variance=0)


def test_what_is_decided_stays_in_every_other_machine() -> None:
    below = hm.RBM(hm.Gaussian(3), hm.Gaussian(2))
    above = hm.RBM(below.hidden, hm.Bernoulli(2))
    assert not learnt(above.visible)
    assert learnt(hm.RBM(hm.Bernoulli(2), below.visible).hidden)
    turned = swap_layers(below)
    assert [learnt(turned.visible), learnt(turned.hidden)] == [False, True]
    v, h = torch.randn(4, 3), torch.randn(4, 2)
    torch.testing.assert_close(turned.energy(h, v), below.energy(v, h))


def test_units_that_share_biases_share_variances() -> None:
    shared = hm.RBM(hm.Gaussian((3, 5), bias_shape=(3, 1)), 2).visible
    assert shared.log_variance.shape == (3, 1)
    assert hm.RBM(hm.Gaussian((3, 5), bias_shape=(3, 1), variance_shape=(1, 5)), 2).visible.log_variance.shape == (1, 5)
    for named in ({"variance": 1.0}, {"learn_variance": True}, {"learn_variance": False}):
        assert hm.RBM(hm.Gaussian((3, 5), bias_shape=(3, 1), **named), 2).visible.log_variance.shape == (3, 5)


def test_a_convolutional_machine_stays_equivariant() -> None:
    """Data moved by one place along a ring give hidden units moved by one place; variances of one's own for each place would not."""
    coupling = hm.Convolutional((1, 12), 2, kernel=3)
    rbm = hm.RBM(hm.Gaussian((1, 12), bias_shape=(1, 1)), hm.Bernoulli(coupling.hidden, bias_shape=(2, 1)), coupling)
    generator = torch.Generator().manual_seed(0)
    rows = 30 + 7 * torch.randn(200, 1, 12, generator=generator) * torch.linspace(0.5, 2, 12)
    hm.fit(rbm, rows, updates=30, progress=False)
    moved = rbm.hidden_mean(rows.roll(1, dims=-1))
    torch.testing.assert_close(moved[..., 1:], rbm.hidden_mean(rows)[..., :-1])
    assert rbm.visible.log_variance.shape == (1, 1)


def test_a_deep_machine_learns_the_variance_of_its_data_alone() -> None:
    dbm = hm.DBM([hm.Gaussian(4), hm.Gaussian(3), hm.Gaussian(2), hm.Bernoulli(2)])
    assert [name for name, _ in dbm.named_parameters() if "variance" in name] == ["joint.visible.parts.0.log_variance"]
    data = 5 * torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
    hm.fit(dbm, data, negative=hm.PersistentCD(chains=20), updates=3, progress=False)


@pytest.mark.filterwarnings("ignore::harmonium.Advice")
@pytest.mark.parametrize("train", [None, lambda rbm, rows, index: hm.fit(rbm, rows, updates=2, progress=False)])
def test_a_stack_has_a_variance_for_each_direction(train: Callable[..., object] | None) -> None:
    data = torch.randn(60, 5, generator=torch.Generator().manual_seed(0))
    settings = {"train": train} if train else {"updates": 2, "progress": False}
    dbn = hm.greedy(data, [hm.Gaussian(5), hm.Gaussian(4), hm.Gaussian(3, learn_variance=False), hm.Bernoulli(2)], **settings)
    found = [(learnt(rbm.visible), rbm.hidden.statistic_is_learnt) for rbm in dbn.rbms]
    assert found == [(True, False), (True, False), (False, False)]
    assert dbn.recognition[0].unit.log_variance.eq(0).all()
    assert not dbn.generative[0].unit.log_variance.eq(0).any()
    assert dbn.generative[1].unit.log_variance.ge(0).all()
    hm.wake_sleep(dbn.untie(), data, epochs=1, progress=False)


@KINDS
def test_what_learns_from_means_has_no_less_than_the_noise_that_they_leave_out(kind: Kind) -> None:
    """Means that hardly vary are the noise's alone: the net's law would lose it if the variance were fitted to them."""
    rbm = hm.RBM(hm.Bernoulli(3), kind(2))
    above = rbm.hidden.as_visible_layer()
    assert above.arguments()["least_variance"] == 1
    top = hm.RBM(above, 2)
    means = torch.rand(200, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([0.01, 50.0]) + 0.5
    hm.fit(top, means, updates=20, progress=False, optimizer=partial(hm.MomentumSGD, lr=0.1, momentum=0.9))
    small, large = top.visible.log_variance.detach().exp().tolist()
    assert small == pytest.approx(1, rel=0.3 if kind is hm.TruncatedGaussian else 1e-6)
    assert large > 50
    assert rbm.visible.as_visible_layer().arguments().keys() == hm.Bernoulli(3).arguments().keys()
    assert hm.RBM(kind(2), 2).visible.as_visible_layer().arguments()["least_variance"] == 0
    assert hm.RBM(2, kind(2, variance=4.0)).hidden.as_visible_layer().arguments()["least_variance"] == 0


def test_a_least_variance_bounds_where_learning_starts_and_goes() -> None:
    unit = hm.Gaussian(2, least_variance=3.0, learn_variance=True)
    data = torch.tensor([[-1.0, -9], [1, 9], [-1, -9], [1, 9]])
    unit.init_from(data)
    torch.testing.assert_close(unit.log_variance.detach().exp(), torch.tensor([3.0, 81]))
    low, high = unit.bounds(data)["log_variance"]
    torch.testing.assert_close(low.exp(), torch.tensor([3.0, 3.0]))
    torch.testing.assert_close(high.exp(), torch.tensor([3e3, 81e3]))
    for wrong in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="a number of zero or more, found"):
            hm.Gaussian(2, least_variance=wrong)


def test_copies_and_files_hold_the_decision(tmp_path: Path) -> None:
    rbm = hm.RBM(hm.Gaussian((2, 3), bias_shape=(2, 1)), hm.Gaussian(2))
    assert rbm.visible.arguments()["learn_variance"] is True
    assert rbm.hidden.arguments()["learn_variance"] is False
    rbm.visible.log_variance.data.fill_(2.0)
    hm.save(rbm, tmp_path / "rbm")
    for other in (copy.deepcopy(rbm), hm.load(tmp_path / "rbm")):
        assert [learnt(other.visible), learnt(other.hidden)] == [True, False]
        torch.testing.assert_close(other.visible.log_variance, rbm.visible.log_variance)
    dbn = hm.DBN([hm.RBM(hm.Gaussian(3), hm.Gaussian(2)), hm.RBM(hm.Gaussian(2), 2)])
    hm.save(dbn, tmp_path / "dbn")
    found = [name for name, _ in hm.load(tmp_path / "dbn").named_parameters() if "variance" in name]
    assert found == [name for name, _ in dbn.named_parameters() if "variance" in name]
    assert len(found) == 2


@pytest.mark.parametrize("said", [True, False])
def test_files_from_before_mean_what_they_say(tmp_path: Path, said: bool) -> None:
    """They name both arguments, and a variance for each unit."""
    hm.save(hm.RBM(hm.Gaussian(3, variance=1.0, learn_variance=said), hm.Bernoulli(2)), tmp_path / "model")
    tensors, header = read_tensors(tmp_path / "model")
    header["model"]["visible"] = {
        "kind": "Gaussian", "shape": [3], "variance": 1.0, "bias_shape": [3], "variance_shape": [3], "learn_variance": said,
    }  # fmt: skip
    header.pop("format", None)
    write_tensors(tmp_path / "old", tensors, header)
    assert learnt(hm.load(tmp_path / "old").visible) == said


def test_experts_are_layers_of_data() -> None:
    mixture = hm.Mixture([hm.Gaussian(2), hm.Gaussian(2, variance=3.0), hm.RBM(hm.Gaussian(2), 2)])
    found = [name for name, _ in mixture.named_parameters() if "variance" in name]
    assert found == ["experts.0.log_variance", "experts.2.visible.log_variance"]


def test_replicas_say_what_to_do() -> None:
    with pytest.raises(TypeError, match="or give the units learn_variance=False"):
        hm.Replicas([hm.RBM(hm.Gaussian(3), 2)])
    hm.Replicas([hm.RBM(hm.Gaussian(3, learn_variance=False), hm.Gaussian(2))])


SCALES = pytest.mark.parametrize("unit", [1e-5, 1, 1e5])
COLUMNS, SIGNS = np.array([0.05, 0.3, 1, 5, 40]), np.array([1, -1, 1, 1, -1])


@SCALES
def test_data_of_any_scale_start_at_their_own_variance_and_end_at_their_noise(unit: float) -> None:
    """Two clusters leave each column its own noise about their centres: the visible variances end there."""
    draw = np.random.default_rng(0)
    noise = np.array([0.5, 0.7, 0.6, 0.5, 0.8])
    standard = (2 * draw.integers(2, size=(1000, 1)) - 1) * SIGNS + noise * draw.normal(size=(1000, 5))
    rows = torch.tensor(unit * COLUMNS * (20 + standard)).float()
    rbm = hm.RBM(hm.Gaussian(5), 1)
    hm.fit(rbm, rows, epochs=0, progress=False)
    np.testing.assert_allclose(rbm.visible.log_variance.detach().exp(), rows.double().var(0, unbiased=False), rtol=1e-3)
    hm.fit(rbm, rows, updates=1000, optimizer=partial(hm.MomentumSGD, lr=0.1, momentum=0.9), progress=False)
    np.testing.assert_allclose(rbm.visible.log_variance.detach().exp().sqrt().numpy() / (unit * COLUMNS), noise, rtol=0.1)


def test_the_defaults_learn_alike_at_any_scale() -> None:
    """Nothing is named at all. Every variance falls well below the data's, by the same share in every unit of measurement."""
    draw = np.random.default_rng(1)
    standard = (2 * draw.integers(2, size=(1000, 1)) - 1) * SIGNS + 0.5 * draw.normal(size=(1000, 5))
    shares = []
    for unit in (1e-3, 1, 1e3):
        rows = torch.tensor(unit * COLUMNS * (3 + standard)).double()
        rbm = hm.RBM(hm.Gaussian(5), 4).double()
        hm.fit(rbm, rows, updates=200, progress=False)
        shares.append(rbm.visible.log_variance.detach().exp() / rows.var(0))
    assert (shares[0] < 0.8).all()
    assert (shares[0] > 0.15).all()  # 0.2 is the noise alone
    torch.testing.assert_close(shares[1], shares[0], rtol=1e-5, atol=0)
    torch.testing.assert_close(shares[2], shares[0], rtol=1e-5, atol=0)
