"""Held-out nats during learning, against enumeration, and early stopping by them."""

from functools import partial

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.files import read_tensors
from harmonium.learning.loop.state import TrainingState
from harmonium.learning.loop.trainer import Choice


def halves(cases=120, seed=1):
    """Five units on and five off, or the other way round, with noise."""
    generator = torch.Generator().manual_seed(seed)
    left = torch.rand(cases, 1, generator=generator) < 0.5
    ink = torch.where(left, torch.arange(10) < 5, torch.arange(10) >= 5)
    return (ink ^ (torch.rand(cases, 10, generator=generator) < 0.1)).float()


def learn(epochs=4, *, model=None, lr=0.5, **settings):
    rbm = model or hm.RBM(hm.Bernoulli(10), hm.Bernoulli(6), seed=2)
    make = None if "state" in settings else partial(torch.optim.SGD, lr=lr)
    return hm.fit(rbm, halves(), epochs=epochs, batch_size=10, optimizer=make, seed=5, progress=False, **settings)


def by_hand(rbm, rows):
    """Mean log p by listing all visible and hidden states in NumPy."""
    weight, b, c = (p.detach().double().numpy() for p in (rbm.coupling.weight, rbm.visible.bias, rbm.hidden.bias))

    def log_p(v):
        return v @ b + np.logaddexp(0, c + v @ weight).sum(1)

    every = (np.arange(2**10)[:, None] >> np.arange(10)) & 1
    top = log_p(every).max()
    return (log_p(rows.numpy()) - top - np.log(np.exp(log_p(every) - top).sum())).mean()


class Record(hm.Callback):
    """By-hand nats, and the parameters, after each epoch."""

    def __init__(self, rows):
        self.rows, self.nats, self.weights = rows, [], []

    def on_epoch(self, state):
        self.nats.append(by_hand(state.model, self.rows))
        self.weights.append({name: value.clone() for name, value in state.model.state_dict().items()})


def test_the_figure_is_the_exact_mean_log_likelihood_at_its_interval():
    held = halves(50, seed=7)
    watch, record = hm.HeldOut(held, every=2), Record(held)
    state = learn(5, callbacks=[watch, record])
    assert [("nats" in row) for row in state.history] == [False, True, False, True, False]
    for row, nats in zip(state.history, record.nats, strict=True):
        assert row.get("nats", nats) == pytest.approx(nats, abs=1e-5)
    assert (state.history[1]["nats_error"], state.history[1]["nats_doubt"], watch.verdict) == (0, 0, "log Z is exact")


def test_watching_changes_no_bit_of_learning():
    plain, watched = learn(), learn(callbacks=[hm.HeldOut(halves(50, seed=7))])
    assert all(torch.equal(value, watched.model.state_dict()[name]) for name, value in plain.model.state_dict().items())


@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_an_estimate_is_the_lower_of_two_and_says_how_far_they_agree(monkeypatch):
    held, rbm = halves(80, seed=7), learn(40).model
    monkeypatch.setattr("harmonium.learning.held_out.LISTED", 8)
    watch = hm.HeldOut(held, betas=300)
    found = watch.figures(rbm)
    assert found["nats"] == pytest.approx(by_hand(rbm, held), abs=4 * found["nats_error"] + 0.05)
    assert 0 < found["nats_doubt"] < 0.5
    assert watch.verdict.startswith("two estimates of log Z agree within")
    with torch.no_grad():
        rbm.coupling.weight.mul_(6)
    rough = hm.HeldOut(held, betas=3)
    assert rough.figures(rbm)["nats_doubt"] > 1
    assert "nats apart: the lower figure is given; more betas" in rough.verdict


@pytest.mark.parametrize("given", ["validation", "callback"])
def test_patience_ends_training_with_the_weights_of_the_best_epoch(given):
    held = 1 - halves(20, seed=9)[:, torch.randperm(10, generator=torch.Generator().manual_seed(0))]  # learning makes these less likely
    record = Record(held)
    settings = {"validation": held, "callbacks": [record]} if given == "validation" else {"callbacks": [record, hm.HeldOut(held)]}
    state = learn(60, patience=3, **settings)
    best = int(np.argmax(record.nats))
    assert state.stopped
    assert (state.best_epoch, state.epoch) == (best + 1, best + 4)
    assert all(torch.equal(value, record.weights[best][name]) for name, value in state.model.state_dict().items())


class Counted(hm.HeldOut):
    """Counts its figures."""

    looks = 0

    def figures(self, model, epoch=0):
        self.looks += 1
        return super().figures(model, epoch)


@pytest.mark.parametrize("patience", [None, 9])
def test_several_look_once_an_epoch_each_and_before_all_other_callbacks(tmp_path, patience):
    watches = [Counted(halves(20, seed=7)), Counted(halves(20, seed=8), name="other", every=2)]
    seen = []
    logged = [lambda state: seen.append(dict(state.history[-1])), hm.CSVLogger(tmp_path / "log.csv")]
    state = learn(4, callbacks=[*logged, *watches], patience=patience)
    assert [each.looks for each in watches] == [4, 2]
    assert seen == state.history
    assert {"nats", "other"} <= set((tmp_path / "log.csv").read_text().splitlines()[0].split(","))
    assert str(state.history[-1]["other"]) in (tmp_path / "log.csv").read_text().splitlines()[-1].split(",")


def test_an_interrupted_run_ends_at_the_same_bits(tmp_path):
    held = 1 - halves(20, seed=9)
    whole = learn(30, patience=4, validation=held)
    assert whole.stopped
    for epochs in (2, whole.best_epoch + 1, 30, 30):  # broken off before the best epoch, after it, ended, and called again
        rbm = hm.RBM(hm.Bernoulli(10), hm.Bernoulli(6), seed=2)
        state = learn(epochs, model=rbm, patience=4, validation=held, checkpoint=tmp_path / "c")
    figures = [{name: value for name, value in row.items() if name != "seconds"} for row in whole.history]
    assert [{name: value for name, value in row.items() if name != "seconds"} for row in state.history] == figures
    assert (state.epoch, state.best_epoch) == (whole.epoch, whole.best_epoch)
    assert all(torch.equal(value, rbm.state_dict()[name]) for name, value in whole.model.state_dict().items())
    assert any(name.startswith("best.") for name in read_tensors(tmp_path / "c")[0])


def test_every_layer_of_a_stack_stops_by_its_own_features():
    rows, held = halves(), halves(40, seed=3)
    layers = [hm.Bernoulli(10), hm.Bernoulli(6), hm.Bernoulli(5)]
    seen = []
    dbn = hm.greedy(rows, layers, validation=held, patience=2, epochs=40, callbacks=[lambda state: seen.append(state)], progress=False)
    first, second = dict.fromkeys(id(state) for state in seen)
    states = {id(state): state for state in seen}
    assert all("nats" in row for key in (first, second) for row in states[key].history)
    drawn = torch.bernoulli(
        dbn.rbms[0].hidden_mean(held).detach(), generator=torch.Generator().manual_seed(states[second].settings["seed"])
    )
    best = max(row["nats"] for row in states[second].history)
    rbm = dbn.rbms[1]
    assert best == pytest.approx(hm.likelihood.log_likelihood(rbm, drawn, log_z=hm.likelihood.exact_log_z(rbm)).mean().item(), abs=1e-5)


def test_deep_models_are_watched_by_their_bound():
    rows = halves()
    dbm = hm.DBM([hm.Bernoulli(10), hm.Bernoulli(4), hm.Bernoulli(3)])
    state = hm.fit(dbm, rows, negative=hm.PersistentCD(chains=20), epochs=2, callbacks=[hm.HeldOut(rows[:30])], progress=False)
    found = hm.likelihood.evaluate(dbm, rows[:30])
    assert state.history[-1]["nats"] == pytest.approx(found.nats, abs=1e-4)
    dbn = hm.greedy(rows, [hm.Bernoulli(10), hm.Bernoulli(4), hm.Bernoulli(3)], epochs=2, progress=False).untie()
    state = hm.wake_sleep(dbn, rows, validation=rows[:60], patience=1, epochs=50, batch_size=20, progress=False)
    figures = [row["nats"] for row in state.history]
    assert state.stopped
    assert state.best_epoch == 1 + int(np.argmax(figures)) == len(figures) - 1


def test_documents_of_several_lengths_have_each_their_own_partition_function():
    generator = torch.Generator().manual_seed(0)
    counts = torch.randint(0, 3, (30, 4), generator=generator).float()
    rbm = hm.RBM(hm.ReplicatedSoftmax(4), hm.Bernoulli(3), seed=1)
    state = hm.fit(rbm, counts, epochs=2, callbacks=[hm.HeldOut(counts[:12])], progress=False)
    assert state.history[-1]["nats"] == pytest.approx(hm.likelihood.evaluate(rbm, counts[:12]).nats, abs=1e-4)


def test_what_cannot_be_watched_is_refused_before_the_first_step():
    rows = halves()
    seen = []
    cases = [
        (ValueError, r"expect states of shape \(\.\.\., 10\)", {"callbacks": [hm.HeldOut(rows[:, :4])]}),
        (ValueError, "Bernoulli units expect 0 or 1", {"callbacks": [hm.HeldOut(rows * 0.5)]}),
        (ValueError, "patience= ends training by held-out nats: give validation=", {"patience": 3}),
        (ValueError, "at least 1, found 0", {"patience": 0, "validation": rows}),
        (ValueError, "different names", {"callbacks": [hm.HeldOut(rows), hm.HeldOut(rows)]}),
    ]
    for kind, message, settings in cases:
        callbacks = [*settings.pop("callbacks", []), seen.append]
        with pytest.raises(kind, match=message):
            learn(callbacks=callbacks, **settings)
    noisy = hm.RBM(hm.Gaussian(10), hm.NoisyReLU(3))
    with pytest.raises(TypeError, match="NoisyReLU"):
        hm.fit(noisy, rows, callbacks=[hm.HeldOut(rows), seen.append], progress=False)
    conditional = hm.RBM(hm.Bernoulli(10), hm.Bernoulli(3), hm.Conditional(hm.Dense(10, 3), 1))
    given = hm.Given(context=torch.linspace(0, 1, 120)[:, None])
    with pytest.raises(ValueError, match="for each of 120 contexts, and HeldOut takes at most 100"):
        hm.fit(conditional, rows, given=given, callbacks=[hm.HeldOut(rows, given=given), seen.append], progress=False)
    square = [hm.Bernoulli(10) for _ in range(3)]
    with pytest.raises(ValueError, match="cases of one layer, and a stack has 2"):
        hm.greedy(rows, square, callbacks=iter([hm.HeldOut(rows), seen.append]), progress=False)
    for wrong in (None, "rows.csv"):
        with pytest.raises(ValueError, match="expected data as a tensor"):
            learn(callbacks=[hm.HeldOut(wrong), seen.append])
    assert not seen
    with pytest.raises(ValueError, match="every=0"):
        hm.HeldOut(rows, every=0)


def test_a_choice_passes_over_epochs_without_the_figure_and_is_not_caught_by_nan():
    model = torch.nn.Linear(1, 1)
    state = TrainingState(model, torch.optim.SGD(model.parameters(), lr=0.1), torch.Generator(), {})
    choice = Choice("nats", patience=3, highest=True)
    for epoch, value in enumerate([float("nan"), None, -3.0, None, -2.0, float("nan"), None, -2.5], 1):
        state.epoch = epoch
        state.history.append({"nats": value} if value is not None else {})
        choice.look(state)
        assert state.stopped == (epoch == 8)
    assert state.best_epoch == 5


def test_a_name_of_another_figure_is_refused():
    with pytest.raises(ValueError, match="'seconds' is that of another figure"):
        hm.HeldOut(halves(), name="seconds")
