"""`fine_tune` and `predict` take sources of rows: those of an array learn the same bits, and those that draw do so anew at each visit."""

from functools import partial

import pytest
import torch
from torch import nn

import harmonium as hm
from tests.learning.test_fine_tune import INPUTS, LABELS, copies, net, tune


class Rows:
    """Rows of a tensor, and the numbers of those that were asked for."""

    def __init__(self, data):
        self.data, self.visits = data, []

    def __len__(self):
        return len(self.data)

    def rows(self, indices, generator):
        self.visits.append(indices.clone())
        return self.data[indices]


class Noisy(Rows):
    """The same, each bit turned over with the probability 0.1."""

    def rows(self, indices, generator):
        rows = super().rows(indices, generator)
        return (rows - (torch.rand(rows.shape, generator=generator) < 0.1).float()).abs()


def plain():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 6), nn.Sigmoid(), nn.Linear(6, 3))


@pytest.mark.parametrize("make", [net, plain, partial(net, dropout=0.5, input_dropout=0.2)])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_source_of_an_arrays_rows_learns_the_bits_of_the_array(make, weighted):
    weights = torch.arange(240) % 3 if weighted else None  # a third of them zero
    found = []
    for inputs in (INPUTS, Rows(INPUTS)):
        classifier = make()
        tune(classifier, inputs, sample_weight=weights, validation=(inputs, LABELS))
        found.append(copies(classifier))
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_cases_without_a_weight_are_never_visited():
    source = Rows(INPUTS)
    tune(net(), source, sample_weight=(torch.arange(240) >= 100).float(), epochs=1)
    assert sorted(torch.cat(source.visits).unique().tolist()) == list(range(100, 240))


def test_a_source_that_draws_is_drawn_anew_at_each_visit_and_resumes_to_the_bit(tmp_path):
    seen = []

    class Watched(Noisy):
        def rows(self, indices, generator):
            rows = super().rows(indices, generator)
            seen.append((indices, rows))
            return rows

    whole, halves = net(dropout=0.5), net(dropout=0.5)
    tune(whole, Watched(INPUTS), epochs=4)
    means = torch.stack([rows.mean(0) for indices, rows in seen if len(indices) == 30])
    assert len(means) == len(means.unique(dim=0)) == 32
    flipped = torch.cat([rows != INPUTS[indices] for indices, rows in seen]).double()
    assert abs(flipped.mean() - 0.1) < 4 * (0.09 / flipped.numel()) ** 0.5
    path = tmp_path / "state.safetensors"
    tune(halves, Noisy(INPUTS), epochs=2, checkpoint=path)
    again = net(dropout=0.5)
    tune(again, Noisy(INPUTS), epochs=4, checkpoint=path)
    assert all(torch.equal(whole.state_dict()[name], again.state_dict()[name]) for name in whole.state_dict())


def test_distorted_digits_learn():
    digits = hm.data.digits.load()
    source = hm.data.Distorted(digits.train_images, alpha=8.0, sigma=2.0, shape=(8, 8))
    classifier = hm.nets.classifier(hm.RBM(hm.Bernoulli(64, values="probabilities"), hm.Bernoulli(40), seed=0), 10)
    tune(classifier, source, digits.train_labels, epochs=20, batch_size=20, head_epochs=0)
    wrong = (hm.predict(classifier, digits.test_images).argmax(1) != digits.test_labels).double().mean()
    assert wrong < 0.12


def test_an_autoencoder_learns_to_undo_noise():
    net = hm.nets.autoencoder(hm.RBM(hm.Bernoulli(8), hm.Bernoulli(6), seed=0))
    before = net.loss(hm.predict(net, Noisy(INPUTS)), INPUTS)
    hm.fine_tune(net, Noisy(INPUTS), INPUTS, loss=net.loss, epochs=20, batch_size=30, progress=False)
    assert net.loss(hm.predict(net, Noisy(INPUTS)), INPUTS) < 0.8 * before


def test_what_is_predicted_of_a_source_that_draws_is_the_same_each_time():
    classifier = net()
    first, second = (hm.predict(classifier, Noisy(INPUTS)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, hm.predict(classifier, INPUTS))


def test_replicas_learn_from_a_source_as_each_alone():
    nets = [net(seed=seed) for seed in (0, 1)]
    alone = [net(seed=seed) for seed in (0, 1)]
    many = hm.Replicas(nets)
    hm.fine_tune(many, Rows(INPUTS), LABELS, batch_size=30, epochs=3, seed=5, progress=False)
    for number, (together, single) in enumerate(zip(many, alone, strict=True)):
        tune(single, Rows(INPUTS), seed=5 + number)
        for name, value in together.state_dict().items():
            torch.testing.assert_close(value, single.state_dict()[name], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (Rows(torch.zeros(240, 9)), r"expected inputs of shape \(cases, 8\), at least one case, found \(240, 9\)"),
        (Rows(torch.zeros(0, 8)), "found a source without rows"),
        (Rows(torch.zeros(240, 8, dtype=torch.uint8)), "uint8 inputs may be grey levels or numbers"),
        (Rows(INPUTS[:100]), "expected 100 integer labels"),
    ],
)
def test_what_the_net_cannot_take_is_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        tune(plain(), rows)


class Few(Rows):
    """Gives the first of the rows that it is asked for, but for trials of one."""

    def rows(self, indices, generator):
        return super().rows(indices[:1], generator)


def test_rows_may_be_arrays_and_are_counted():
    class Arrays(Rows):
        def rows(self, indices, generator):
            return super().rows(indices, generator).numpy()

    found, expected = net(), net()
    tune(found, Arrays(INPUTS))
    tune(expected, INPUTS)
    assert all(torch.equal(value, expected.state_dict()[name]) for name, value in found.state_dict().items())
    for learn in (lambda rows: tune(net(), rows), lambda rows: hm.fit(hm.RBM(8, 4), rows, batch_size=30, progress=False)):
        with pytest.raises(ValueError, match=r"asked for \d+, it gave an array of shape \(1, 8\)"):
            learn(Few(INPUTS))


@pytest.mark.parametrize("make", [net, plain])
def test_a_bad_row_is_named_where_it_is_met(make):
    bad = INPUTS.clone()
    bad[77, 3] = float("nan")
    with pytest.raises(ValueError, match=r"NaN.* \(row 77 of the data\)|row 77 of the data"):
        tune(make(), Rows(bad))
