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
        (iter([DATA]), 3, {}, "walked once"),
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
