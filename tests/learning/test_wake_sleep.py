"""Contrastive wake-sleep: what it learns, its figures, and that it resumes to the bit."""

import itertools
from functools import partial

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.files import read_tensors
from harmonium.learning.loop import trainer
from harmonium.models import label_log_probability
from tests import oracle
from tests.models.machines import plain

PATTERNS = torch.tensor([[1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1], [1, 1, 0, 0, 1, 1]], dtype=torch.float32)


def planted(cases=300, seed=0):
    """Three patterns, their pixels flipped with probability 0.1, and which is which."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (cases,), generator=draw)
    flips = torch.rand(cases, 6, generator=draw) < 0.1
    return torch.where(flips, 1 - PATTERNS[labels], PATTERNS[labels]), labels


def net(labels=True, seed=0, scale=0.1):
    sizes, top = (6, 5, 5), hm.Groups(hm.Bernoulli(5), hm.Softmax(1, categories=3)) if labels else hm.Bernoulli(5)
    below = [hm.RBM(hm.Bernoulli(a), hm.Bernoulli(b), hm.Dense(a, b, scale=scale, seed=seed)) for a, b in itertools.pairwise(sizes)]
    return hm.DBN([*below, hm.RBM(top, hm.Bernoulli(6), hm.Dense(top.shape, 6, scale=scale, seed=seed + 1))], untied=True, labels=labels)


def exact(dbn, v):
    """log p(v, y) of an untied net, (cases, labels), by summing over the states of every layer from the top downwards."""
    top = plain(dbn.top)
    h, _ = oracle.table(top.visible)
    log_p = oracle.log_likelihood(top, h)
    states = np.unique(h[:, :5], axis=0)
    joint = np.full((len(states), 3), -np.inf)
    for row, value in zip(h, log_p, strict=True):
        place = int((states == row[:5]).all(1).nonzero()[0][0])
        joint[place, row[5:].argmax()] = value
    for layer, below in zip(reversed(dbn.generative), (states, v), strict=True):
        down = plain(hm.RBM(layer.unit, layer.neighbour, layer.coupling))
        log_down = -oracle.energies(down, below, states) + oracle.free_energy(down.flipped(), states)
        joint = oracle.logsumexp(log_down[:, :, None] + joint[None], axis=1)
    return joint


SETTINGS = {"batch_size": 20, "optimizer": partial(hm.MomentumSGD, lr=0.02, momentum=0.9), "progress": False}


@pytest.mark.parametrize(("greedy", "gain", "short"), [(5, 0.2, 1.5), (20, 0.0, 0.3)], ids=["from a poor start", "from a good start"])
def test_it_learns_a_planted_distribution(greedy, gain, short):
    """From a short greedy phase the exact mean log p(v, y) of other cases rises; from a longer one it comes near the distribution's own."""
    (v, y), (held, truth) = planted(600), planted(200, seed=1)
    rows, places = held.double().numpy(), np.arange(200)
    layers = [hm.Bernoulli(6), hm.Bernoulli(5), hm.Bernoulli(5), hm.Bernoulli(6)]
    rate = partial(hm.MomentumSGD, lr=0.1, momentum=0.9)
    dbn = hm.greedy(v, layers, labels=y, classes=3, epochs=greedy, seed=1, **SETTINGS | {"optimizer": rate}).untie()
    before = exact(dbn, rows)[places, truth].mean()
    hm.wake_sleep(dbn, v, labels=y, epochs=30, pixels="sample", seed=1, **SETTINGS | {"batch_size": 30})
    after = exact(dbn, rows)
    own = -np.log(3) + 6 * (0.1 * np.log(0.1) + 0.9 * np.log(0.9))  # nearly: as if no two patterns ever made the same case
    assert after[places, truth].mean() > before + gain
    assert after[places, truth].mean() > own - short
    # The deterministic up-pass finds the class that the exact posterior finds.
    found = label_log_probability(dbn, held).argmax(1).numpy()
    assert (found == after.argmax(1)).mean() > 0.95
    assert greedy == 5 or (found == truth.numpy()).mean() > 0.9


def run(checkpoint=None, callbacks=(), negative=None, keep_best=False, **others):
    v, y = planted(90)
    held = planted(40, seed=1)
    dbn = net()
    state = hm.wake_sleep(
        dbn,
        hm.data.binarise(v * 0.8 + 0.1, "resampled"),
        labels=y,
        negative=negative or hm.PersistentCD(chains=7),
        epochs=3,
        weight_cost=1e-3,
        averaging=0.3,
        schedule=partial(hm.Schedule, lr=lambda epoch: 0.9**epoch),
        validation=held,
        keep_best=keep_best,
        seed=4,
        callbacks=callbacks,
        checkpoint=checkpoint,
        **SETTINGS,
        **others,
    )
    return dbn, state


class Stop(hm.Callback):
    def __init__(self, step):
        self.step = step

    def on_step(self, state):
        if state.step == self.step:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    "negative",
    [hm.PersistentCD(chains=7), lambda epoch: hm.ContrastiveDivergence(1 + epoch), lambda e: hm.PersistentCD(chains=4, steps=1 + e)],
)
def test_resumed_in_the_middle_of_an_epoch_it_ends_in_the_same_bits(tmp_path, monkeypatch, negative):
    monkeypatch.setattr(trainer, "CHECKPOINT_SECONDS", 0.0)
    expected, whole = run(negative=negative)
    path = tmp_path / "state.safetensors"
    for step in (2, 8):
        with pytest.raises(KeyboardInterrupt):
            run(path, [Stop(step)], negative=negative)
        assert read_tensors(path)[1]["batch"] != 0
    found, state = run(path, negative=negative)
    for name, tensor in expected.state_dict().items():
        assert torch.equal(found.state_dict()[name], tensor)
    for name, tensor in whole.average.items():
        assert torch.equal(state.average[name], tensor)
    drop = ("seconds",)
    assert [{k: v for k, v in row.items() if k not in drop} for row in state.history] == [
        {k: v for k, v in row.items() if k not in drop} for row in whole.history
    ]
    with pytest.raises(ValueError, match="pixels='mean', and this run has pixels='sample'"):
        run(path, negative=negative, pixels="sample")


def test_a_state_trains_on_and_belongs_to_its_net():
    (one, whole), v = run(), planted(90)
    two = net()
    settings = SETTINGS | {"weight_cost": 1e-3, "averaging": 0.3, "seed": 4, "negative": hm.PersistentCD(chains=7), "labels": v[1]}
    settings |= {"schedule": partial(hm.Schedule, lr=lambda epoch: 0.9**epoch)}
    data = hm.data.binarise(v[0] * 0.8 + 0.1, "resampled")
    state = hm.wake_sleep(two, data, epochs=1, **settings)
    hm.wake_sleep(two, data, epochs=3, state=state, **settings)
    for name, tensor in one.state_dict().items():
        assert torch.equal(two.state_dict()[name], tensor)
    with pytest.raises(ValueError, match="another model"):
        hm.wake_sleep(net(), data, epochs=3, state=state, **settings)
    averaged = whole.averaged()
    assert isinstance(averaged, hm.DBN)
    assert averaged.untied
    assert not torch.equal(averaged.top.coupling.weight, one.top.coupling.weight)


def test_the_figures():
    dbn, state = run()
    held, truth = planted(40, seed=1)
    row = state.history[-1]
    assert {"wake_error", "sleep_error", "validation_wake_error", "validation_error_percent", "averaged_error_percent"} <= set(row)
    wrong = (label_log_probability(dbn, held).argmax(1) != truth).double().mean().item()
    assert row["validation_error_percent"] == pytest.approx(100 * wrong)
    wrong = (label_log_probability(state.averaged(), held).argmax(1) != truth).double().mean().item()
    assert row["averaged_error_percent"] == pytest.approx(100 * wrong)
    line = hm.learning.loop.progress.sentence(row)
    assert f"wake {row['wake_error']:.2f}" in line
    assert f"sleep {row['sleep_error']:.2f}" in line
    # Nothing moves: the epoch's wake error is that of a great many up-passes, the dreams' that of the chain.
    still, v = net(scale=1.0), planted(2000)
    settings = SETTINGS | {"optimizer": partial(hm.MomentumSGD, lr=0.0)}
    found = hm.wake_sleep(still, v[0], labels=v[1], epochs=1, validation=v[0], **settings).history[-1]
    draw = torch.Generator().manual_seed(0)
    states, errors = v[0], torch.zeros(2000)
    for up, down in zip(still.recognition, still.generative, strict=True):
        above = up(states, draw)
        errors, states = errors + (down(above) - states).square().sum(1), above
    spread = 4 * errors.std().item() * np.sqrt(2 / 2000)
    assert abs(found["wake_error"] - errors.mean().item()) < spread
    assert abs(found["validation_wake_error"] - errors.mean().item()) < 1.5 * spread
    assert "validation_error_percent" not in found


def test_keep_best_ends_with_the_epoch_that_erred_least():
    dbn, state = run(keep_best=True)
    best = min(row["validation_error_percent"] for row in state.history)
    held, truth = planted(40, seed=1)
    assert 100 * (label_log_probability(dbn, held).argmax(1) != truth).double().mean().item() == pytest.approx(best)
    v, _ = planted(40)
    with pytest.raises(ValueError, match="keep_best"):
        hm.wake_sleep(net(labels=False), v, validation=v, keep_best=True)


def test_a_schedule_is_asked_at_every_epoch():
    asked = []

    def negative(epoch):
        asked.append(epoch)
        return hm.ContrastiveDivergence(1)

    run(negative=negative)
    assert sorted(set(asked)) == [0, 1, 2]


@pytest.mark.parametrize("validation", [None, "images"])
def test_a_net_without_labels_and_one_of_one_machine(validation):
    v, y = planted(60)
    held = None if validation is None else v
    row = hm.wake_sleep(net(labels=False), v, epochs=1, validation=held, **SETTINGS).history[-1]
    assert ("validation_wake_error" in row) == (held is not None)
    one = hm.DBN([hm.RBM(hm.Groups(hm.Bernoulli(6), hm.Softmax(1, categories=3)), hm.Bernoulli(4))], labels=True)
    row = hm.wake_sleep(one, v, labels=y, epochs=1, validation=(v, y), **SETTINGS).history[-1]
    assert "wake_error" not in row
    assert row["validation_error_percent"] <= 100


def test_it_says_when_learning_diverges():
    v, y = planted(60)
    settings = SETTINGS | {"optimizer": partial(hm.MomentumSGD, lr=1e38, momentum=0.9)}
    with pytest.raises(FloatingPointError, match="diverged"):
        hm.wake_sleep(net(), v, labels=y, epochs=3, **settings)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"dbn": hm.DBN([hm.RBM(hm.Bernoulli(6), hm.Bernoulli(5)), hm.RBM(hm.Bernoulli(5), hm.Bernoulli(4))])}, ValueError, "untie"),
        ({"labels": None}, ValueError, "label units"),
        ({"dbn": net(labels=False)}, ValueError, "no label units"),
        ({"labels": torch.arange(60)}, ValueError, "from 0 to 2"),
        ({"labels": torch.zeros(59).long()}, ValueError, "60 integer labels"),
        ({"labels": torch.zeros(60)}, ValueError, "integer labels"),
        ({"validation": (torch.zeros(5, 6), torch.zeros(4).long())}, ValueError, "5 integer labels"),
        ({"negative": hm.ExactGradient()}, TypeError, "no particles"),
        ({"pixels": "median"}, ValueError, "median"),
        ({"data": torch.full((60, 6), 0.5)}, ValueError, "0 or 1"),
        ({"data": [torch.zeros(60, 6)]}, ValueError, "indexed by case number"),
    ],
)
def test_refusals(change, error, message):
    v, y = planted(60)
    arguments = {"dbn": net(), "data": v, "labels": y, **SETTINGS} | change
    with pytest.raises(error, match=message):
        hm.wake_sleep(arguments.pop("dbn"), arguments.pop("data"), **arguments)


def test_pooled_layers_are_refused():
    dbn = hm.DBN([hm.RBM(hm.Bernoulli(6), hm.PooledBlocks(4, pool=2)), hm.RBM(hm.Bernoulli(2), hm.Bernoulli(3))], untied=True)
    with pytest.raises(ValueError, match="pooled"):
        hm.wake_sleep(dbn, planted(60)[0])


def test_digits_and_their_labels():
    """1,497 digits: the greedy phase with labels errs on fewer than one in twelve of 300 others, and wake-sleep on no more than it did."""
    digits = hm.data.digits.load()
    images, labels, test, truth = digits.train_images, digits.train_labels, digits.test_images, digits.test_labels
    layers = [hm.Bernoulli(64, values="probabilities"), hm.Bernoulli(80), hm.Bernoulli(150)]
    mean = hm.ContrastiveDivergence(reconstruction="mean")
    quick = {"batch_size": 50, "weight_cost": 2e-4, "progress": False}
    rate = partial(hm.MomentumSGD, lr=0.05, momentum=0.9)
    dbn = hm.greedy(images, layers, labels=labels, classes=10, epochs=20, negative=mean, optimizer=rate, **quick)

    def error(model):
        return 100 * (label_log_probability(model, test).argmax(1) != truth).double().mean().item()

    free = dbn.untie()
    slow = partial(hm.MomentumSGD, lr=0.01, momentum=0.9)
    state = hm.wake_sleep(free, images, labels=labels, epochs=10, optimizer=slow, validation=(test, truth), averaging=0.3, **quick)
    assert error(dbn) < 100 / 12
    assert state.history[-1]["averaged_error_percent"] <= error(dbn)
    assert state.history[-1]["wake_error"] < state.history[0]["wake_error"]
    assert state.history[-1]["sleep_error"] < state.history[0]["sleep_error"]
    assert state.history[-1]["validation_error_percent"] == pytest.approx(error(free))


def test_only_belief_nets_are_taken():
    with pytest.raises(TypeError, match=r"found DBM: hm\.fit learns that"):
        hm.wake_sleep(hm.DBM([hm.Bernoulli(6), hm.Bernoulli(3)]), planted()[0])
