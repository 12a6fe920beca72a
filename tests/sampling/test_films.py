"""Films, and completion through a deep belief net, against sums over every state."""

import math

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.sampling import complete, film, gibbs_label_probability
from tests import deep, oracle
from tests.models.machines import machine, plain, samples

K, CHAINS = 3, 20000


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def labelled(seed=1):
    return machine(hm.Groups(hm.Bernoulli(3), hm.Softmax(1, categories=K)), "bernoulli", seed=seed, size=1.2)


def net():
    return hm.DBN([machine("bernoulli", "bernoulli", seed=0), labelled()], labels=True)


def one():
    return hm.DBN([labelled()], labels=True)


def near(found, expected):
    found = found.detach().numpy()
    assert (np.abs(found.mean(0) - expected) < 4 * found.std(0) / np.sqrt(len(found)) + 1e-12).all()


def pixels(dbn):
    """The states of the top RBM, their probabilities, and the pixels' means under each."""
    v, p = oracle.visible_distribution(plain(dbn.top))
    shown = oracle.hidden_moments(plain(dbn.rbms[0]).flipped(), v[:, :3])[0] if len(dbn.recognition) else v[:, :3]
    return v, p, shown


@pytest.mark.parametrize("make", [net, one])
def test_frames_have_the_exact_mean(make):
    dbn = make()
    v, p, shown = pixels(dbn)
    found = film(dbn, CHAINS, frames=2, steps=15, generator=generator())
    assert found.shape == (CHAINS, 2, 3)
    for frame in range(2):
        near(found[:, frame], p @ shown)
    clamped = film(dbn, CHAINS, frames=2, steps=15, generator=generator(1), labels=torch.full((CHAINS,), 2))
    chosen = v[:, 5] == 1
    near(clamped[:, 1], p[chosen] / p[chosen].sum() @ shown[chosen])


UNDECLARED = {"rbm": labelled, "net": lambda: hm.DBN([labelled()])}


@pytest.mark.parametrize("make", UNDECLARED.values(), ids=UNDECLARED.keys())
def test_softmax_units_that_nobody_called_labels_are_shown(make):
    """A group that ends in a softmax is not for that a layer of labels: its columns were missing from films."""
    model = make()
    v, p = oracle.visible_distribution(plain(labelled()))
    found = film(model, CHAINS, frames=2, steps=15, generator=generator())
    assert found.shape == (CHAINS, 2, 3 + K)
    for frame in range(2):
        near(found[:, frame], p @ v)
    start = torch.tensor(v[:1]).expand(CHAINS, -1)
    states, up = oracle.conditional(plain(labelled()), v[:1])
    again, down = oracle.conditional(plain(labelled()).flipped(), states)
    shown = oracle.conditional(plain(labelled()), again)[1] @ down @ again
    near(film(model, CHAINS, frames=1, steps=1, generator=generator(), start=start)[:, 0], up[0] @ down @ shown)
    with pytest.raises(ValueError, match="labels=True"):
        film(model, 2, frames=1, steps=1, generator=generator(), labels=torch.zeros(2, dtype=torch.long))


def test_softmax_units_that_nobody_called_labels_are_generated_and_completed():
    dbn = hm.DBN([labelled()])
    v, p = oracle.visible_distribution(plain(dbn.top))
    assert dbn.labels is None
    assert dbn.visible is dbn.penultimate is dbn.top.visible
    near(dbn.generate(CHAINS, steps=15, generator=generator()), p @ v)
    gap = torch.tensor([False, True, True, True, True, True])
    seen = torch.tensor([1.0, 0, 0, 1, 0, 0], dtype=torch.float64).expand(CHAINS, -1)
    for model in (dbn, dbn.top):
        found = complete(model, seen, gap, steps=20, generator=generator())
        near(found.v, p[v[:, 0] == 1] / p[v[:, 0] == 1].sum() @ v[v[:, 0] == 1])
    for asked in (lambda: gibbs_label_probability(dbn, v[:, :3], sweeps=1, generator=generator()), lambda: dbn.join(seen, torch.zeros(2))):
        with pytest.raises(ValueError, match="labels=True"):
            asked()


def test_frames_of_a_deep_boltzmann_machine_show_its_data():
    dbm = deep.dbm("bernoulli", "bernoulli", "bernoulli")
    table = deep.table(deep.plain(dbm))
    p = np.exp(table.log_p - table.log_p.max()).sum((1, 2))
    found = film(dbm, CHAINS, frames=2, steps=30, generator=generator())
    for frame in range(2):
        near(found[:, frame], p @ table.states[0] / p.sum())
    with pytest.raises(ValueError, match="no labels to clamp"):
        film(dbm, 2, frames=1, steps=1, generator=generator(), labels=torch.zeros(2, dtype=torch.long))


def test_the_first_frame_is_so_many_sweeps_from_the_start():
    rbm = machine("bernoulli", "bernoulli", seed=2, size=3.0)
    start = torch.ones(CHAINS, 3, dtype=torch.float64)
    found = film(rbm, CHAINS, frames=1, steps=1, generator=generator(), start=start)
    states, up = oracle.conditional(plain(rbm), start[:1].numpy())
    v, down = oracle.conditional(plain(rbm).flipped(), states)
    again = oracle.conditional(plain(rbm), v)[1]
    near(found[:, 0], up[0] @ down @ again @ down @ v)
    with pytest.raises(ValueError, match="steps=0"):
        film(rbm, 2, frames=1, steps=0, generator=generator())


def test_gibbs_finds_the_exact_probability_of_a_label():
    rbm = labelled()
    x = torch.tensor(samples(hm.Bernoulli(3), 4, 1))
    exact = hm.models.label_log_probability(rbm, x).exp()
    many = x.repeat(2000, 1)
    for model in (rbm, hm.DBN([rbm], labels=True)):
        found = gibbs_label_probability(model, many, sweeps=20, generator=generator()).reshape(2000, 4, K)
        assert ((found.mean(0) - exact).abs() < 4 * found.std(0) / math.sqrt(2000)).all()
    dbn = net()
    h, p = oracle.conditional(plain(dbn.rbms[0]), x.numpy())
    expected = p @ hm.models.label_log_probability(dbn.top, torch.tensor(h)).exp().numpy()
    found = gibbs_label_probability(dbn, many, sweeps=20, generator=generator()).reshape(2000, 4, K)
    assert ((found.mean(0) - torch.tensor(expected)).abs() < 4 * found.std(0) / math.sqrt(2000)).all()
    with pytest.raises(ValueError, match="average=3"):
        gibbs_label_probability(rbm, x, sweeps=2, average=3, generator=generator())


def test_the_labels_begin_alike():
    """After one sweep it is E[y | h] for h ~ p(h | x, y), y being a third of each label."""
    rbm = labelled()
    x = torch.tensor([[1.0, 0.0, 1.0]], dtype=torch.float64)
    found = gibbs_label_probability(rbm, x.expand(CHAINS, -1), sweeps=1, generator=generator())
    start = np.concatenate([x.numpy(), np.full((1, K), 1 / K)], axis=1)
    h, p = oracle.conditional(plain(rbm), start)
    expected = p[0] @ oracle.hidden_moments(plain(rbm).flipped(), h)[0][:, 3:]
    near(found, expected)


GAP = torch.tensor([False, True, True])


def completed(dbn, labels=None, **settings):
    v = torch.tensor([1.0, math.nan, math.nan], dtype=torch.float64).expand(CHAINS, -1)
    return complete(dbn, v, GAP, generator=generator(), labels=labels, **settings)


@pytest.mark.parametrize("label", [None, 1])
def test_a_net_of_one_machine_completes_exactly(label):
    dbn = one()
    v, p, _ = pixels(dbn)
    agree = (v[:, 0] == 1) & (np.ones(len(v), bool) if label is None else v[:, 3 + label] == 1)
    expected = p[agree] / p[agree].sum() @ v[agree][:, :3]
    found = completed(dbn, None if label is None else torch.full((CHAINS,), label), steps=20)
    assert found.v.shape == (CHAINS, 3)
    near(found.v, expected)
    near(found.mean, expected)
    assert bool((found.v[:, 0] == 1).all())


@pytest.mark.parametrize("label", [None, 1])
def test_a_deep_net_keeps_what_was_seen_and_fills_in_what_its_chain_dreams(label):
    """With long runs of the top RBM its states forget the up-pass: the missing pixels then are the net's own, given the label."""
    dbn = net()
    v, p, shown = pixels(dbn)
    agree = np.ones(len(v), bool) if label is None else v[:, 3 + label] == 1
    expected = p[agree] / p[agree].sum() @ shown[agree]
    found = completed(dbn, None if label is None else torch.full((CHAINS,), label), steps=2, average=1, sweeps=30)
    assert bool((found.v[:, 0] == 1).all() and (found.mean[:, 0] == 1).all())
    near(found.v[:, 1:], expected[1:])
    near(found.mean[:, 1:], expected[1:])


def test_one_step_without_sweeps_is_an_up_pass_and_a_down_pass():
    dbn = hm.DBN([machine("bernoulli", "bernoulli", seed=0, size=2.0), labelled()], labels=True)
    v = torch.tensor([[1.0, 0.0, 1.0]], dtype=torch.float64).expand(CHAINS, -1)
    found = complete(dbn, v, torch.tensor([False, False, True]), steps=1, sweeps=0, generator=generator())
    start = plain(dbn.rbms[0])
    p_blank = 1 / (1 + np.exp(-dbn.visible.bias[2].item()))
    h, p = oracle.conditional(start, np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 1.0]]))
    expected = np.array([1 - p_blank, p_blank]) @ p @ oracle.hidden_moments(start.flipped(), h)[0]
    near(found.v[:, 2:], expected[2:])
    assert torch.equal(found.v[:, :2], v[:, :2])


def test_refusals():
    with pytest.raises(ValueError, match=r"hm\.DBN\(\[rbm\], labels=True\)"):
        complete(labelled(), torch.eye(6)[[3, 4]], torch.zeros(6), steps=1, generator=generator(), labels=torch.zeros(2).long())
    with pytest.raises(ValueError, match="from 0 to 2"):
        completed(net(), torch.full((CHAINS,), 3), steps=1)
    with pytest.raises(ValueError, match="no label units"):
        completed(hm.DBN([machine("bernoulli", "bernoulli")]), torch.zeros(CHAINS).long(), steps=1)
