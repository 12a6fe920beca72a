"""Stacks learnt a layer at a time: each layer's data are the means of the one below."""

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.learning import features

DATA = (np.random.default_rng(0).random((60, 6)) < 0.4).astype(np.float32)
LAYERS = [lambda: hm.Bernoulli(6), lambda: hm.Bernoulli(5), lambda: hm.Bernoulli(4), lambda: hm.Bernoulli(3)]
SETTINGS = {"epochs": 2, "batch_size": 20, "progress": False}


def layers(count=4):
    return [make() for make in LAYERS[:count]]


def test_each_layers_data_are_the_hidden_means_of_the_one_below():
    seen = []

    def train(rbm, data, index):
        seen.append(torch.as_tensor(data).clone())
        return hm.fit(rbm, data, seed=index, **SETTINGS)

    dbn = hm.greedy(DATA, layers(), train=train)
    expected = DATA.astype(np.float64)
    assert len(seen) == 3
    for found, rbm in zip(seen, dbn.rbms, strict=True):
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)
        w, b = (tensor.detach().double().numpy() for tensor in (rbm.coupling.weight, rbm.hidden.bias))
        expected = 1 / (1 + np.exp(-expected @ w - b))
    assert [rbm.visible.values for rbm in dbn.rbms] == ["binary", "probabilities", "probabilities"]


def test_a_stack_is_machines_fitted_one_after_the_other():
    dbn = hm.greedy(DATA, layers(), seed=3, negative=hm.PersistentCD(chains=7), **SETTINGS)
    again = hm.greedy(DATA, layers(), seed=3, negative=hm.PersistentCD(chains=7), **SETTINGS)
    other = hm.greedy(DATA, layers(), seed=4, negative=hm.PersistentCD(chains=7), **SETTINGS)
    for name, value in dbn.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    assert not torch.equal(dbn.top.coupling.weight, other.top.coupling.weight)
    assert [tuple(rbm.coupling.weight.shape) for rbm in dbn.rbms] == [(6, 5), (5, 4), (4, 3)]


def test_features_of_a_resampled_source_are_drawn_anew():
    grey = np.full((30, 6), 128, dtype=np.uint8)
    rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(5), seed=1)
    rbm.coupling.weight.data.mul_(100)
    source = features(hm.data.binarise(grey, "resampled"), rbm)
    generator, rows = torch.Generator().manual_seed(0), torch.arange(30)
    first, second = source.rows(rows, generator), source.rows(rows, generator)
    assert first.shape == (30, 5)
    assert not torch.equal(first, second)
    dbn = hm.greedy(hm.data.binarise(grey, "resampled"), layers(), **SETTINGS)
    assert len(dbn.rbms) == 3


def test_features_of_more_cases_than_one_block():
    rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(5), seed=1)
    rows = np.tile(DATA, (300, 1)).astype(np.uint8)
    found = features(rows, rbm)
    assert found.shape == (18000, 5)
    torch.testing.assert_close(found, rbm.hidden_mean(torch.tensor(rows, dtype=torch.float32)).detach())


@pytest.mark.parametrize(
    ("data", "units", "settings", "message"),
    [
        (DATA, 1, {}, "at least one hidden layer"),
        (DATA, 2, {"train": lambda *_: None, "epochs": 3}, "epochs"),
        (iter([DATA]), 3, {}, "read only once"),
        (DATA[:, :4], 3, {}, "4"),
    ],
)
def test_what_makes_no_stack_is_refused(data, units, settings, message):
    with pytest.raises(ValueError, match=message):
        hm.greedy(data, layers(units), **settings)


def test_validation_data_rise_through_the_stack_too():
    gaps = []

    class Gaps(hm.Callback):
        def on_epoch(self, state):
            gaps.append(state.history[-1]["free_energy_gap"])

    dbn = hm.greedy(DATA, layers(3), validation=1 - DATA, callbacks=[Gaps()], **SETTINGS)
    below, above = dbn.rbms
    training, held_out = (below.hidden_mean(torch.tensor(rows)) for rows in (DATA, 1 - DATA))
    assert gaps[-1] == pytest.approx(hm.likelihood.free_energy_gap(above, training, held_out), abs=1e-5)


LABELS = np.random.default_rng(1).integers(3, size=60)


@pytest.mark.parametrize("source", [False, True])
def test_labels_stand_beside_the_top_machines_visible_units(source):
    data = hm.data.binarise(DATA, "resampled") if source else DATA
    seen = []

    def train(rbm, rows, index):
        seen.append(rows)
        return hm.fit(rbm, rows, seed=index, **SETTINGS)

    dbn = hm.greedy(data, layers(), labels=LABELS, classes=3, train=train)
    assert dbn.labels is not None
    assert [rbm.visible.shape for rbm in dbn.rbms] == [(6,), (5,), (7,)]
    assert dbn.penultimate.values == "probabilities"
    rows = seen[-1].rows(torch.arange(60), torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(rows[:, 4:].numpy(), np.eye(3)[LABELS])
    torch.testing.assert_close(rows[:, :4], dbn.up(torch.tensor(DATA)))
    assert hm.models.label_log_probability(dbn, DATA if not isinstance(DATA, np.ndarray) else torch.tensor(DATA)).shape == (60, 3)


def test_the_lower_layers_are_learnt_as_without_labels():
    plain = hm.greedy(DATA, layers(), seed=3, **SETTINGS)
    dbn = hm.greedy(DATA, layers(), labels=list(LABELS), classes=3, seed=3, **SETTINGS)
    for one, other in zip(plain.rbms[:-1], dbn.rbms[:-1], strict=True):
        assert torch.equal(one.coupling.weight, other.coupling.weight)


def test_one_machine_of_data_and_labels():
    grey = (255 * DATA).astype(np.uint8)
    dbn = hm.greedy(grey, [hm.Bernoulli(6, values="probabilities"), hm.Bernoulli(4)], labels=LABELS, classes=3, **SETTINGS)
    assert dbn.top.visible.shape == (9,)
    assert dbn.labels.bias.detach().numpy() == pytest.approx(np.log(np.bincount(LABELS) / 60), abs=0.2)  # they start at the base rates


@pytest.mark.parametrize("labelled", [True, False])
def test_validation_with_labels_is_watched_in_every_layer(labelled):
    watched = []

    class Watch(hm.Callback):
        def on_end(self, state):
            watched.append("free_energy_gap" in state.history[-1])

    validation = (1 - DATA[:20], LABELS[:20]) if labelled else 1 - DATA[:20]
    hm.greedy(DATA, layers(3), labels=LABELS, classes=3, validation=validation, callbacks=[Watch()], **SETTINGS)
    assert watched == [True, labelled]


@pytest.mark.parametrize(
    ("data", "change", "message"),
    [
        (DATA, {"labels": LABELS + 1}, "from 0 to 2, found values from 1 to 3"),
        (DATA, {"labels": LABELS[:-1]}, "expected 60 integer labels"),
        (DATA, {"labels": LABELS.astype(float)}, "float64"),
        (DATA, {"classes": None}, "classes="),
        (DATA, {"labels": None}, "labels="),
        ([DATA], {}, "indexed by case number"),
    ],
)
def test_labels_that_do_not_fit_are_refused_before_any_work(data, change, message):
    def train(*_):
        raise AssertionError("learning began")

    with pytest.raises(ValueError, match=message):
        hm.greedy(data, layers(), train=train, **{"labels": LABELS, "classes": 3, **change})
