"""Gentle backpropagation: the head first, the best epoch kept, bad labels refused."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import harmonium as hm
from harmonium.learning.backpropagation import Backpropagation

DRAW = np.random.default_rng(0)
LABELS = torch.tensor(DRAW.integers(3, size=240))
CENTRES = torch.tensor(DRAW.integers(2, size=(3, 8)))
INPUTS = (torch.tensor(DRAW.random((240, 8))) < 0.15 + 0.7 * CENTRES[LABELS]).float()


def net(seed=0, values="binary", **settings):
    dbn = hm.DBN(
        [hm.RBM(hm.Bernoulli(8, values=values), hm.Bernoulli(6), seed=seed), hm.RBM(hm.Bernoulli(6), hm.Bernoulli(5), seed=seed + 1)]
    )
    return hm.nets.classifier(dbn, 3, **settings)


def tune(classifier, inputs=INPUTS, labels=LABELS, **settings):
    return hm.fine_tune(classifier, inputs, labels, **{"batch_size": 30, "progress": False, "epochs": 3, **settings})


def copies(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def test_head_epochs_leave_the_body_alone_to_the_bit():
    classifier = net()
    before = copies(classifier)
    tune(classifier, head_epochs=3, weight_cost=0.1, optimizer=partial(torch.optim.SGD, lr=0.1, momentum=0.9))
    for name, value in classifier.state_dict().items():
        assert torch.equal(value, before[name]) == (not name.startswith("4."))


def test_the_body_learns_after_them():
    classifier = net()
    before = copies(classifier)
    tune(classifier, head_epochs=1, epochs=2)
    assert not any(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())


def test_one_step_is_backpropagation():
    classifier, reference = net(), net()
    tune(classifier, head_epochs=0, epochs=1, batch_size=240, optimizer=partial(torch.optim.SGD, lr=0.5), weight_cost=0.01)
    F.cross_entropy(reference(INPUTS), LABELS).backward()
    after = dict(classifier.named_parameters())
    for name, parameter in reference.named_parameters():
        cost = 0.01 * parameter if parameter.dim() > 1 else 0.0
        torch.testing.assert_close(after[name], (parameter - 0.5 * (parameter.grad + cost)).detach(), atol=1e-6, rtol=1e-5)


def test_it_learns_to_classify():
    classifier = net()
    state = tune(classifier, epochs=60, head_epochs=2, optimizer=partial(torch.optim.Adam, lr=0.02), validation=(INPUTS, LABELS))
    error = (hm.predict(classifier, INPUTS).argmax(1) != LABELS).double().mean().item()
    assert error < 0.15
    assert state.history[state.best_epoch - 1]["validation_error_percent"] == pytest.approx(100 * error)
    row = state.history[0]
    assert set(row) >= {"epoch", "step", "train_loss", "train_error_percent", "validation_loss", "validation_error_percent", "update_ratio"}


class Record(hm.Callback):
    """The weights at the end of each epoch."""

    def __init__(self):
        self.seen = []

    def on_epoch(self, state):
        self.seen.append(copies(state.model))


def test_the_weights_of_the_best_epoch_stand_at_the_end():
    record, classifier = Record(), net()
    held_out = (INPUTS[:40], LABELS[torch.randperm(40, generator=torch.Generator().manual_seed(0))])
    state = tune(
        classifier, epochs=20, head_epochs=0, optimizer=partial(torch.optim.Adam, lr=0.05), validation=held_out, callbacks=[record]
    )
    errors = [row["validation_error_percent"] for row in state.history]
    assert state.best_epoch == 1 + int(np.argmin(errors)) < 20
    assert errors[-1] > min(errors)
    best = record.seen[state.best_epoch - 1]
    assert all(torch.equal(value, best[name]) for name, value in classifier.state_dict().items())
    found = (hm.predict(classifier, held_out[0]).argmax(1) != held_out[1]).double().mean().item()
    assert 100 * found == pytest.approx(min(errors))


def test_without_validation_the_last_weights_stand():
    record, classifier = Record(), net()
    tune(classifier, callbacks=[record])
    assert all(torch.equal(value, record.seen[-1][name]) for name, value in classifier.state_dict().items())


@pytest.mark.parametrize("patience", [1, 3])
def test_patience_ends_training_after_that_many_epochs_without_a_better_one(patience):
    state = tune(net(), epochs=50, optimizer=partial(torch.optim.SGD, lr=0.0), validation=(INPUTS, LABELS), patience=patience)
    assert state.best_epoch == 1
    assert len(state.history) == state.epoch == 1 + patience


def test_grey_bytes_declared_as_probabilities_count_as_shares_of_255():
    results = []
    grey = (INPUTS * 200).to(torch.uint8)
    for inputs in (grey, grey.float() / 255):
        classifier = net(values="probabilities")
        tune(classifier, inputs)
        results.append((classifier.state_dict(), hm.predict(classifier, inputs)))
    torch.testing.assert_close(results[0][0], results[1][0])
    torch.testing.assert_close(results[0][1], results[1][1])


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_labels_of_any_integer_type(dtype):
    results = []
    for labels in (LABELS, LABELS.to(dtype)):
        classifier = net()
        tune(classifier, labels=labels, validation=(INPUTS, labels))
        results.append(copies(classifier))
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])


def test_dropout_repeats_with_the_seed_and_predicts_without_noise():
    results = []
    for seed in (0, 0, 1):
        classifier = net(dropout=0.5, input_dropout=0.2)
        tune(classifier, seed=seed)
        results.append(hm.predict(classifier, INPUTS))
        assert torch.equal(results[-1], hm.predict(classifier, INPUTS))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_predictions_keep_the_mode_of_the_net():
    classifier = net(dropout=0.5)
    for training in (True, False):
        classifier.train(training)
        hm.predict(classifier, INPUTS)
        assert classifier.training is training


BAD = {
    "a label too large": (INPUTS, torch.full((240,), 3), "labels from 0 to 2, found 3"),
    "a negative label": (INPUTS, torch.full((240,), -1), "found -1"),
    "too few labels": (INPUTS, LABELS[:10], "240 integer labels"),
    "labels that are not integers": (INPUTS, LABELS.double(), "integer labels.*float64"),
    "one-hot labels": (INPUTS, F.one_hot(LABELS), r"\(240, 3\)"),
    "another width": (INPUTS[:, :5], LABELS, r"\(cases, 8\).*\(240, 5\)"),
    "no cases": (INPUTS[:0], LABELS[:0], "at least one case"),
    "NaN": (INPUTS.index_fill(0, torch.tensor([3]), float("nan")), LABELS, "finite"),
}


@pytest.mark.parametrize("where", ["training", "validation"])
@pytest.mark.parametrize(("inputs", "labels", "message"), BAD.values(), ids=BAD.keys())
def test_what_cannot_be_learnt_is_refused_before_any_step(inputs, labels, message, where):
    classifier = net()
    before = copies(classifier)
    settings = {"inputs": inputs, "labels": labels} if where == "training" else {"validation": (inputs, labels)}
    with pytest.raises(ValueError, match=message):
        tune(classifier, **settings)
    assert all(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())


def test_arrays_are_taken_as_tensors_are() -> None:
    x, y = torch.rand(60, 5, generator=torch.Generator().manual_seed(0)), torch.arange(60) % 3
    found = []
    for inputs, labels in ((x, y), (x.numpy(), y.numpy())):
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.Tanh(), torch.nn.Linear(4, 3))
        hm.fine_tune(net, inputs, labels, validation=(inputs[:20], labels[:20]), epochs=2, progress=False)
        found.append(hm.predict(net, inputs))
    assert torch.equal(*found)


def test_a_head_without_parameters_is_no_head():
    net = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Tanh())
    before = net[0].weight.detach().clone()
    hm.fine_tune(net, torch.eye(6), torch.zeros(6, 4), loss=torch.nn.functional.mse_loss, epochs=1, progress=False)
    assert not torch.equal(net[0].weight, before)


class Beside(torch.nn.Module):
    """A net with a matrix on which nothing depends."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused = torch.nn.Linear(8, 3), torch.nn.Parameter(torch.ones(2, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.used(x)


@pytest.mark.parametrize("make", [net, Beside])
def test_gradients_that_are_handed_over_change_no_bit(make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside gradients that are added to zeros, as recorded updates do."""
    tuned = []
    for rebinds in (True, False):
        asked = partial(Backpropagation, rebinds=rebinds)
        monkeypatch.setattr("harmonium.learning.finetune.Backpropagation", lambda *given, asked=asked, **_: asked(*given))
        torch.manual_seed(0)
        classifier = make()
        tune(classifier, head_epochs=1, weight_cost=0.1, optimizer=partial(hm.MomentumSGD, lr=0.1, momentum=0.9))
        tuned.append(copies(classifier))
    assert all(torch.equal(value, tuned[1][name]) for name, value in tuned[0].items())
    if make is Beside:
        assert tuned[0]["unused"].max() < 1  # weight decay alone moves it


def test_truth_values_are_labels_of_two_classes():
    truth = LABELS == 1
    tuned = [copies_of_tuned(labels) for labels in (truth, truth.long(), truth.numpy())]
    assert all(torch.equal(value, other[name]) for other in tuned[1:] for name, value in tuned[0].items())


def copies_of_tuned(labels):
    classifier = net()
    tune(classifier, labels=labels, validation=(INPUTS, labels), epochs=2)
    return copies(classifier)
