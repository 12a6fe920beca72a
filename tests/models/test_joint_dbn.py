"""Belief nets of data and labels, and nets whose two directions have parted, against enumeration."""

import copy

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.models import label_free_energy, label_log_probability
from tests import oracle
from tests.models.machines import close, machine, plain, randomise, samples

CLASSES = 3


def labelled(layer="bernoulli", hidden="bernoulli", seed=0, size=1.0):
    """A random machine with a label of three classes beside a layer."""
    draw = np.random.default_rng(seed)
    below = machine(layer, "bernoulli", seed=seed).visible
    rbm = hm.RBM(hm.Groups(below, hm.Softmax(1, categories=CLASSES)), machine("bernoulli", hidden, seed=seed).hidden).double()
    randomise(rbm.visible, draw)
    rbm.coupling.weight.data = torch.tensor(size * draw.normal(size=rbm.coupling.weight.shape))
    return rbm


def net(seed=0, size=1.0):
    """Two directed layers of three units below a labelled top."""
    return hm.DBN(
        [machine("bernoulli", "bernoulli", seed=seed, size=size), machine("bernoulli", "bernoulli", seed=seed + 1), labelled(seed=seed)]
    )


def enumerated(rbm, x):
    """-log Σ_h exp(-E) of each label, (cases, classes), by the oracle."""
    rows = [np.concatenate([np.repeat(x, CLASSES, 0), np.tile(np.eye(CLASSES), (len(x), 1))], axis=1)]
    return oracle.free_energy(plain(rbm), rows[0]).reshape(len(x), CLASSES)


@pytest.mark.parametrize(
    ("layer", "hidden"), [("bernoulli", "bernoulli"), ("gaussian", "softmax"), ("spin", "binomial"), ("softmax", "spin")]
)
def test_label_free_energies_are_the_machines_own(layer, hidden):
    rbm = labelled(layer, hidden, size=0.5)
    x = samples(next(rbm.visible.layers()), 7, 1)
    expected = enumerated(rbm, x)
    close(label_free_energy(rbm, torch.tensor(x)), expected, 1e-5)
    p = np.exp(-expected)
    close(label_log_probability(rbm, torch.tensor(x)).exp(), p / p.sum(1, keepdims=True), 1e-5)


def test_a_net_asks_its_top_after_an_up_pass():
    dbn = net()
    v = samples(dbn.rbms[0].visible, 6, 2)
    means = v
    for rbm in dbn.rbms[:-1]:
        means = 1 / (1 + np.exp(-(means @ rbm.coupling.weight.detach().numpy() + rbm.hidden.bias.detach().numpy())))
    p = np.exp(-enumerated(dbn.top, means))
    close(label_log_probability(dbn, torch.tensor(v)).exp(), p / p.sum(1, keepdims=True), 1e-9)


def test_stochastic_passes_average_probabilities():
    """Towards Σ_x Q(x | v) p(y | x), summed over the states of both hidden layers."""
    dbn = net(seed=3)
    v = samples(dbn.rbms[0].visible, 2, 2)
    first, q1 = oracle.conditional(plain(dbn.rbms[0]), v)
    second, q2 = oracle.conditional(plain(dbn.rbms[1]), first)
    p = np.exp(-enumerated(dbn.top, second))
    expected = q1 @ q2 @ (p / p.sum(1, keepdims=True))
    passes = 4000
    found = label_log_probability(dbn, torch.tensor(v), generator=torch.Generator().manual_seed(0), passes=passes).exp().numpy()
    assert np.abs(found - expected).max() < 4 * 0.5 / np.sqrt(passes)


def test_fantasies_of_a_class_have_its_exact_mean():
    dbn = net(seed=1)
    states, p = oracle.visible_distribution(plain(dbn.top))
    for label in range(CLASSES):
        here = states[:, 3 + label] == 1
        of_class = p[here] / p[here].sum()
        up = [dbn.rbms[1], dbn.rbms[0]]
        expected = np.zeros(3)
        for x, weight in zip(states[here][:, :3], of_class, strict=True):
            h1, q = oracle.conditional(plain(up[0]).flipped(), x[None])
            expected += weight * (q[0] @ oracle.hidden_moments(plain(up[1]).flipped(), h1)[0])
        labels = torch.full((20000,), label)
        found = dbn.generate(20000, steps=40, generator=torch.Generator().manual_seed(label), labels=labels).numpy()
        assert (np.abs(found.mean(0) - expected) < 4 * found.std(0) / np.sqrt(len(found))).all()


def test_gibbs_sampling_of_the_label_finds_its_probability():
    """Given the layer below, the label's chain has p(y | x) as its stationary distribution."""
    dbn = hm.DBN(
        [machine("bernoulli", "bernoulli", seed=5, size=20.0), labelled(seed=5, size=0.7)]
    )  # an up-pass that leaves nothing to chance
    v = torch.ones(1, 3, dtype=torch.float64)
    x = dbn.up(v)
    assert ((x < 1e-3) | (x > 1 - 1e-3)).all()
    p = np.exp(-enumerated(dbn.top, x.round().detach().numpy()))
    found = hm.sampling.gibbs_label_probability(dbn, v.expand(4000, -1), sweeps=40, generator=torch.Generator().manual_seed(0)).numpy()
    error = found.std(0) / np.sqrt(len(found))
    assert (np.abs(found.mean(0) - (p / p.sum())[0]) < 4 * error + 1e-3).all()


def test_a_completed_image_keeps_what_was_seen():
    dbn, v = net(), torch.tensor(samples(net().rbms[0].visible, 9, 3))
    missing = torch.zeros_like(v, dtype=torch.bool)
    missing[:, 2] = True
    found = hm.sampling.complete_image(
        dbn, v, missing, steps=3, generator=torch.Generator().manual_seed(0), labels=torch.zeros(9, dtype=torch.long)
    )
    assert torch.equal(found[:, :2], v[:, :2])
    assert ((found[:, 2] > 0) & (found[:, 2] < 1)).all()
    blind = v.clone()
    blind[:, 2] = 1 - blind[:, 2]  # what is missing is not looked at
    again = hm.sampling.complete_image(
        dbn, blind, missing, steps=3, generator=torch.Generator().manual_seed(0), labels=torch.zeros(9, dtype=torch.long)
    )
    assert torch.equal(found, again)


def test_a_film_leaves_its_chains_alone():
    """A frame every two sweeps shows the chains that run without any frame between."""
    dbn = net()
    many = hm.sampling.film(dbn, 5, frames=2, steps=2, generator=torch.Generator().manual_seed(1), labels=torch.arange(5) % 3)
    assert many.shape == (5, 2, 3)
    assert ((many > 0) & (many < 1)).all()


def test_untied_directions_begin_equal_and_part():
    dbn = net()
    v = torch.tensor(samples(dbn.rbms[0].visible, 4, 1))
    free = copy.deepcopy(dbn).untie()
    assert free.untied
    assert free.untie() is free
    h = torch.tensor(samples(dbn.rbms[1].hidden, 4, 2))
    close(free.up(v), dbn.up(v), 1e-12)
    close(free.down(h), dbn.down(h), 1e-12)
    own = {id(p) for p in free.parameters()}
    assert len(own) == len(list(dbn.parameters())) + 2  # a matrix more for each directed layer: biases were two each already
    with torch.no_grad():
        free.generative[0].coupling.weight.add_(1.0)
        free.generative[1].unit.bias.sub_(1.0)
    close(free.up(v), dbn.up(v), 1e-12)
    assert (free.down(h) - dbn.down(h)).abs().min() > 1e-3
    down = free.down(h)
    with torch.no_grad():
        free.recognition[0].coupling.weight.add_(1.0)
        free.recognition[1].unit.bias.sub_(1.0)
    close(free.down(h), down, 1e-12)
    assert (free.up(v) - dbn.up(v)).abs().max() > 1e-3


@pytest.mark.parametrize("untied", [False, True])
def test_nets_are_saved_and_loaded(tmp_path, untied):
    dbn = net()
    if untied:
        dbn.untie()
        dbn.generative[0].coupling.weight.data.mul_(2)
    hm.save(dbn, tmp_path / "net")
    found = hm.load(tmp_path / "net")
    assert found.untied == untied
    v, h = torch.tensor(samples(dbn.rbms[0].visible, 4, 1)), torch.tensor(samples(dbn.rbms[1].hidden, 4, 2))
    assert torch.equal(found.up(v), dbn.up(v))
    assert torch.equal(found.down(h), dbn.down(h))
    assert torch.equal(label_log_probability(found, v), label_log_probability(dbn, v))


def test_what_is_no_label_is_refused():
    dbn = net()
    for labels, words in ((torch.tensor([3]), "from 0 to 2, found 3"), (torch.tensor([0.5]), "integers"), (torch.tensor([-1]), "found -1")):
        with pytest.raises(ValueError, match=words):
            dbn.generate(1, generator=torch.Generator(), labels=labels)
    plain_net = hm.DBN(net().rbms[:-1])
    with pytest.raises(ValueError, match="no labels"):
        plain_net.generate(1, generator=torch.Generator(), labels=torch.tensor([0]))
    with pytest.raises(ValueError, match="softmax group beside"):
        label_free_energy(plain_net.top, torch.zeros(1, 3))
    with pytest.raises(ValueError, match="layer beside the label"):
        label_free_energy(dbn.top, torch.zeros(1, 5, dtype=torch.float64))
    with pytest.raises(ValueError, match="give a generator"):
        label_log_probability(dbn, torch.zeros(1, 3, dtype=torch.float64), passes=2)
    with pytest.raises(ValueError, match="no label units"):
        hm.sampling.gibbs_label_probability(plain_net, torch.zeros(1, 3), generator=torch.Generator())
