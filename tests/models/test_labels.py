"""Labels beside the other visible units, by listing every state of every layer."""

import itertools

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.models import label_free_energy, label_log_probability
from harmonium.units import Given
from tests import oracle
from tests.models.machines import close, machine, plain, samples

K = 3
OTHERS = {
    "bernoulli": lambda: hm.Bernoulli(3),
    "gaussian": lambda: hm.Gaussian(2, learn_variance=True),
    "spin_softmax": lambda: hm.Groups(hm.Spin(2), hm.Softmax(1, categories=2)),
    "words": lambda: hm.ReplicatedSoftmax(3),
}


def labelled(others, hidden="bernoulli", seed=0, size=1.0):
    """A random machine of these units and a label of three classes."""
    return machine(hm.Groups(others, hm.Softmax(1, categories=K)), hidden, seed=seed, size=size)


def joint(x):
    """Every x beside each of the labels, one label after another."""
    return [np.concatenate([x, np.tile(row, (len(x), 1))], axis=1) for row in np.eye(K)]


@pytest.mark.parametrize(
    ("others", "hidden"),
    [pair for pair in itertools.product(OTHERS, ("bernoulli", "gaussian", "softmax", "poisson")) if pair != ("gaussian", "poisson")],
)
def test_free_energies_are_the_tables(others, hidden):
    rbm = labelled(OTHERS[others](), hidden)
    x = samples(next(rbm.visible.layers()), 5, 1)
    expected = np.stack([oracle.free_energy(plain(rbm), v) for v in joint(x)], axis=1)
    found = label_free_energy(rbm, torch.tensor(x))
    close(found, expected, 1e-6 if hidden == "poisson" else 1e-9)
    p = np.exp(-expected) / np.exp(-expected).sum(1, keepdims=True)
    close(label_log_probability(rbm, torch.tensor(x)).exp(), p, 1e-6 if hidden == "poisson" else 1e-9)


def test_a_context_counts():
    coupling = hm.Conditional(hm.Dense(2 + K, 3), 2)
    rbm = hm.RBM(hm.Groups(hm.Bernoulli(2), hm.Softmax(1, categories=K)), hm.Bernoulli(3), coupling).double()
    draw = torch.Generator().manual_seed(0)
    for parameter in rbm.parameters():
        parameter.data.normal_(generator=draw)
    x, given = torch.tensor(samples(hm.Bernoulli(2), 4, 1)), Given(context=torch.randn(4, 2, generator=draw, dtype=torch.float64))
    expected = torch.stack([rbm.free_energy(torch.tensor(v), given) for v in joint(x.numpy())], dim=1)
    close(label_free_energy(rbm, x, given), expected, 1e-12)
    close(label_log_probability(rbm, x, given=given), torch.log_softmax(-expected, 1), 1e-12)


def net(seed=0, untied=False):
    return hm.DBN([machine("bernoulli", "bernoulli", seed=seed), labelled(hm.Bernoulli(3), seed=seed + 1)], untied=untied, labels=True)


def sums(dbn, v):
    """log p(v, y) of each case and label, and E_Q[p(y | h)], by summing over the layer between."""
    below, top = (plain(rbm) for rbm in dbn.rbms)
    h, p = oracle.conditional(below, v)
    unnormalised = np.stack([-oracle.free_energy(top, each) for each in joint(h)], axis=1)
    down = -oracle.energies(below, v, h) + oracle.free_energy(below.flipped(), h)
    exact = oracle.logsumexp(down[:, :, None] + unnormalised[None] - oracle.log_z(top), axis=1)
    return exact, p @ (np.exp(unnormalised) / np.exp(unnormalised).sum(1, keepdims=True))


def test_a_net_by_means_by_passes_and_exactly():
    dbn = net()
    v = samples(dbn.visible, 6, 1)
    below, top = (plain(rbm) for rbm in dbn.rbms)
    means = oracle.hidden_moments(below, v)[0]
    expected = np.exp(np.stack([-oracle.free_energy(top, each) for each in joint(means)], axis=1))
    close(label_log_probability(dbn, torch.tensor(v)).exp(), expected / expected.sum(1, keepdims=True), 1e-9)
    exact, mean = sums(dbn, v)
    generator, passes = torch.Generator().manual_seed(0), 4000
    found = label_log_probability(dbn, torch.tensor(v), generator=generator, passes=passes).exp().numpy()
    assert (np.abs(found - mean) < 4 * 0.5 / np.sqrt(passes)).all()
    one = label_log_probability(dbn, torch.tensor(v), generator=generator).exp()
    assert one.sum(1) == pytest.approx(1.0)
    # The bound sums the labels out, and its tightening is log p(v).
    log_z = oracle.log_z(top)
    tight = hm.likelihood.dbn_bound(dbn, torch.tensor(v), log_z=log_z, samples=4000, tighten=True)
    assert (np.abs(tight.values.numpy() - oracle.logsumexp(exact, axis=1)) < 4 * tight.errors.numpy() + 1e-6).all()
    found = hm.likelihood.evaluate(dbn, torch.tensor(v), samples=2000)
    assert found.nats == pytest.approx(hm.likelihood.dbn_bound(dbn, torch.tensor(v), log_z=log_z, samples=2000).mean, abs=0.05)
    assert np.isfinite(hm.likelihood.evaluate(dbn, torch.tensor(v), samples=20, exact=False, betas=20, chains=10, sweeps=5).nats)


def test_grey_levels_and_blocks(monkeypatch):
    rbm = hm.RBM(hm.Groups(hm.Bernoulli(4, values="probabilities"), hm.Softmax(1, categories=K)), hm.Bernoulli(3))
    grey = torch.randint(256, (7, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    whole = label_log_probability(rbm, grey)
    torch.testing.assert_close(whole, torch.log_softmax(-label_free_energy(rbm, grey / 255), 1))
    monkeypatch.setattr("harmonium.models.labels.BLOCK", 3)
    torch.testing.assert_close(label_log_probability(rbm, grey), whole)


def test_joining_and_parting():
    dbn = net()
    h = torch.tensor(samples(hm.Bernoulli(3), 4, 1))
    states = dbn.join(h, torch.tensor([2, 0, 1, 2]))
    assert torch.equal(states[:, 3:], torch.eye(K, dtype=torch.float64)[[2, 0, 1, 2]])
    assert torch.equal(dbn.part(states), h)
    assert torch.equal(dbn.part(h), h)
    assert torch.equal(dbn.down(states), dbn.down(h))
    many = dbn.join(h[:1].expand(20000, -1), generator=torch.Generator().manual_seed(0))[:, 3:].mean(0)
    close(many, label_log_probability(dbn.top, h[:1]).exp()[0], 4 * 0.5 / np.sqrt(20000))
    assert dbn.labels is dbn.top.visible.parts[1]
    assert dbn.penultimate is dbn.top.visible.parts[0]
    assert hm.DBN([labelled(hm.Bernoulli(3))], labels=True).visible.shape == (3,)


def test_labels_are_declared_and_never_guessed():
    """Whatever the layers look like, softmax units are labels where the net was told so, and nowhere else."""
    group = hm.DBN([machine("bernoulli", "bernoulli_softmax"), machine("bernoulli_softmax", "spin")])
    alone = hm.DBN([labelled(hm.Bernoulli(3))])
    for dbn in (group, alone):
        assert dbn.labels is None
        assert dbn.penultimate is dbn.top.visible
        assert dbn.untie().labels is None
        with pytest.raises(ValueError, match="labels=True"):
            label_log_probability(dbn, torch.zeros(2, *dbn.visible.shape))
    assert net().untie().labels is not None
    with pytest.raises(ValueError, match=r"labels=True.*\(6,\) on \(3,\)"):
        hm.DBN([machine("bernoulli", "bernoulli"), labelled(hm.Bernoulli(3))])
    with pytest.raises(ValueError, match="the labels last"):
        hm.DBN([machine("bernoulli", "bernoulli")], labels=True)
    with pytest.raises(ValueError, match=r"\(2,\) on \(5,\)"):  # the softmax belongs to the layer below
        hm.DBN([machine("bernoulli", "bernoulli_softmax"), machine("bernoulli_softmax", "spin")], labels=True)


def test_the_likelihood_of_a_net_of_one_machine_is_of_the_layers_it_was_told_of():
    """Declared labels are summed out, units that are none are data."""
    rbm = labelled(hm.Bernoulli(3), seed=4)
    log_z, v = oracle.log_z(plain(rbm)), samples(rbm.visible, 6, 1)
    whole = -oracle.free_energy(plain(rbm), v) - log_z
    x = v[:, :3]
    summed = oracle.logsumexp(np.stack([-oracle.free_energy(plain(rbm), each) for each in joint(x)]), axis=0) - log_z
    for dbn, data, expected in ((hm.DBN([rbm]), v, whole), (hm.DBN([rbm], labels=True), x, summed)):
        data = torch.tensor(data)
        for tighten in (False, True):
            close(hm.likelihood.dbn_bound(dbn, data, log_z=log_z, tighten=tighten, samples=3).values, expected, 1e-9)
        close(hm.likelihood.exact_dbn(dbn, data).log_likelihood, expected, 1e-9)
        assert hm.likelihood.evaluate(dbn, data).nats == pytest.approx(expected.mean())
        table = hm.likelihood.exact_distribution(dbn)
        places = [int((table.states == row).all(1).nonzero()[0]) for row in data]
        close(table.p[places].log(), expected, 1e-9)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.tensor([0, 1, 3]), "from 0 to 2"),
        (torch.tensor([0, -1, 2]), "from -1"),
        (torch.tensor([0, 1]), "3 integer labels"),
        (torch.tensor([0.0, 1.0, 2.0]), "float32"),
        (None, "generator"),
    ],
)
def test_what_are_no_labels(labels, message):
    with pytest.raises(ValueError, match=message):
        net().join(torch.zeros(3, 3, dtype=torch.float64), labels)


def test_models_without_labels_are_refused():
    dbn = hm.DBN([machine("bernoulli", "bernoulli"), machine("bernoulli", "bernoulli")])
    h = torch.zeros(2, 3, dtype=torch.float64)
    for call in (lambda: label_log_probability(dbn, h), lambda: label_log_probability(dbn.top, h), lambda: label_free_energy(dbn.top, h)):
        with pytest.raises(ValueError, match="the labels last"):
            call()
    with pytest.raises(ValueError, match="no label units"):
        dbn.join(h, torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="generator"):
        label_log_probability(net(), h, passes=2)
    with pytest.raises(ValueError, match=r"\(4,\) on \(3,\)"):
        hm.DBN([machine("bernoulli", "bernoulli"), hm.RBM(hm.Groups(hm.Bernoulli(2), hm.Softmax(1, categories=2)), hm.Bernoulli(2))])


@pytest.mark.parametrize("below", [True, False])
def test_a_clamped_class_has_the_exact_conditional_mean(below):
    dbn = net() if below else hm.DBN([labelled(hm.Bernoulli(3), seed=1)], labels=True)
    v, p = oracle.visible_distribution(plain(dbn.top))
    labels = torch.arange(K).repeat_interleave(6000)
    found = dbn.generate(len(labels), steps=30, generator=torch.Generator().manual_seed(3), labels=labels).numpy()
    for label in range(K):
        chosen = v[:, 3 + label] == 1
        share = p[chosen] / p[chosen].sum()
        shown = oracle.hidden_moments(plain(dbn.rbms[0]).flipped(), v[chosen][:, :3])[0] if below else v[chosen][:, :3]
        some = found[labels == label]
        assert (np.abs(some.mean(0) - share @ shown) < 4 * some.std(0) / np.sqrt(len(some))).all()
    free = dbn.generate(20000, steps=30, generator=torch.Generator().manual_seed(4)).numpy()
    shown = oracle.hidden_moments(plain(dbn.rbms[0]).flipped(), v[:, :3])[0] if below else v[:, :3]
    assert (np.abs(free.mean(0) - p @ shown) < 4 * free.std(0) / np.sqrt(len(free))).all()


def test_a_start_keeps_its_class():
    dbn = net()
    data = torch.tensor(samples(hm.Bernoulli(3), 5, 1))
    states, given = dbn.initial_states(5, generator=torch.Generator().manual_seed(0), start=data, labels=torch.tensor([0, 1, 2, 1, 0]))
    after = dbn.top.gibbs(states, steps=3, generator=torch.Generator().manual_seed(1), given=given)
    assert torch.equal(after[:, 3:], states[:, 3:])
    assert not torch.equal(after[:, :3], states[:, :3])


def test_data_that_no_unit_takes_get_no_label():
    """A NaN would make every label NaN, of which one is the largest all the same."""
    rbm = hm.RBM(hm.Groups(hm.Bernoulli(3), hm.Softmax(1, categories=3)), hm.Bernoulli(2))
    with pytest.raises(ValueError, match="found 1 NaN"):
        label_log_probability(rbm, torch.tensor([[0.0, float("nan"), 1.0]]))
    with pytest.raises(ValueError, match=r"shape \(\.\.\., 3\)"):
        label_log_probability(rbm, torch.zeros(2, 4))
