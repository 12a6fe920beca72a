"""Contrastive wake-sleep: its gradients against autograd, what it learns against enumeration, its checkpoints bit by bit."""

import copy
import itertools
from functools import partial

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.learning.state import TrainingState
from harmonium.learning.wake_sleep import up_down_gradient
from harmonium.models import label_log_probability
from tests import oracle
from tests.models.machines import close, machine, plain, samples
from tests.models.test_directed import log_probability
from tests.models.test_joint_dbn import labelled

STACKS = [
    ("bernoulli",) * 4,
    ("gaussian", "bernoulli", "spin"),
    ("softmax", "binomial", "bernoulli"),
    ("truncated", "bernoulli", "softmax"),
]


def net(kinds, seed=0):
    """An untied stack whose two directions differ."""
    dbn = hm.DBN([machine(a, b, seed=seed + n, size=0.5) for n, (a, b) in enumerate(itertools.pairwise(kinds))]).untie()
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for down in dbn.generative:
            for p in (*down.unit.parameters(), *down.coupling.parameters()):
                p.add_(0.1 * torch.randn(p.shape, generator=draw, dtype=p.dtype))
    return dbn


def state_of(dbn, seed):
    return TrainingState(dbn, torch.optim.SGD(dbn.parameters(), lr=0.1), torch.Generator().manual_seed(seed), {})


def passes(dbn, v, y, negative, seed):
    """The states of the two passes, drawn with the same numbers in the same order."""
    generator, wake = torch.Generator().manual_seed(seed), [v]
    for up in dbn.recognition:
        wake.append(up.unit.sample(up.input(wake[-1]), generator=generator))
    states = wake[-1] if y is None else torch.cat([wake[-1], torch.eye(3, dtype=v.dtype)[y]], 1)
    particles = negative.particles(dbn.top, dbn.top.infer(states), None, generator=generator)
    sleep = [particles if y is None else particles[:, :-3]]
    for number in reversed(range(len(dbn.generative))):
        down = dbn.generative[number]
        input = down.input(sleep[-1])
        sleep.append(down.unit.sample(input, generator=generator) if number else down.unit.mean(input))
    return wake, states, particles, sleep[::-1]


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("kinds", [*STACKS, "labelled"], ids=str)
def test_an_update_is_the_gradient_of_its_wake_and_sleep_objectives(kinds, steps):
    if kinds == "labelled":
        dbn = hm.DBN([machine("bernoulli", "bernoulli"), machine("bernoulli", "bernoulli", seed=1), labelled()]).untie()
        y = torch.tensor([0, 2, 1, 1, 0, 2])
    else:
        dbn, y = net(kinds), None
    v, negative = torch.tensor(samples(dbn.rbms[0].visible, 6, 3)), hm.ContrastiveDivergence(steps)
    wake, states, particles, sleep = (
        [each.detach() for each in group] if isinstance(group, list) else group.detach() for group in passes(dbn, v, y, negative, 7)
    )
    loss = (dbn.top.free_energy(states) - dbn.top.free_energy(particles)).mean()
    for down, below, above in zip(dbn.generative, wake, wake[1:], strict=False):
        loss = loss - log_probability(down, below, above).mean()
    for up, below, above in zip(dbn.recognition, sleep, sleep[1:], strict=False):
        loss = loss - log_probability(up, above, below).mean()
    loss.backward()
    expected = {name: p.grad.clone() for name, p in dbn.named_parameters() if p.requires_grad}
    dbn.zero_grad(set_to_none=True)
    state = state_of(dbn, 7)
    up_down_gradient(dbn, v, y, negative, state)
    for name, p in dbn.named_parameters():
        if p.requires_grad:
            close(p.grad, expected[name], 1e-6)
    error = sum((below - down(above)).square().sum() for down, below, above in zip(dbn.generative, wake, wake[1:], strict=False))
    close(state.totals["wake_error"], error, 1e-9)
    error = sum((above - up(below)).square().sum() for up, below, above in zip(dbn.recognition, sleep, sleep[1:], strict=False))
    close(state.totals["sleep_error"], error, 1e-9)


def exact(dbn, v):
    """The mean of log p(v) of a net of one directed layer, by summing over the layer above it, with generation's tensors."""
    down = plain(hm.RBM(dbn.generative[0].unit, dbn.recognition[0].unit, dbn.generative[0].coupling))
    h, _ = oracle.table(down.hidden)
    log_down = -oracle.energies(down, v, h) + oracle.free_energy(down.flipped(), h)
    return oracle.logsumexp(log_down + oracle.log_likelihood(plain(dbn.top), h), axis=1).mean()


def test_it_raises_the_exact_likelihood():
    """From a stack whose greedy phase was short: at least half of the way from there to the entropy of the data."""
    draw = np.random.default_rng(0)
    patterns = np.array([[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1], [1, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 1.0]])
    v = patterns[draw.integers(4, size=2000)]
    v = np.where(draw.uniform(size=v.shape) < 0.05, 1 - v, v)
    data = torch.tensor(v, dtype=torch.float32)
    dbn = hm.greedy(data, [hm.Bernoulli(6), hm.Bernoulli(4), hm.Bernoulli(6)], epochs=2, seed=1)
    before = exact(dbn.untie(), v)
    keys = (v @ 2 ** np.arange(6)).astype(int)
    p = np.bincount(keys) / len(v)
    best = (p[p > 0] * np.log(p[p > 0])).sum()
    state = hm.wake_sleep(
        dbn,
        data,
        negative=hm.PersistentCD(100, 3),
        epochs=40,
        batch_size=50,
        optimizer=partial(hm.MomentumSGD, lr=0.1),
        schedule=partial(hm.Schedule, lr=lambda epoch: 1 - epoch / 40),
        averaging=0.2,
        progress=False,
    )
    after = exact(state.averaged(), v)
    assert after > before + 0.5 * (best - before)
    assert state.history[-1]["wake_error"] < state.history[0]["wake_error"]
    assert state.history[-1]["sleep_error"] < state.history[0]["sleep_error"]


def digits():
    data = hm.data.digits.load()
    return data.train_images, data.train_labels, data.test_images, data.test_labels


def joint(images, labels, epochs=12):
    layers = [hm.Bernoulli(64, values="probabilities"), hm.Bernoulli(60), hm.Bernoulli(60), hm.Bernoulli(120)]
    return hm.greedy(
        images,
        layers,
        labels=labels,
        classes=10,
        negative=hm.ContrastiveDivergence(reconstruction="mean"),
        epochs=epochs,
        batch_size=20,
        optimizer=partial(hm.MomentumSGD, lr=0.1, momentum=0.9),
    )


def test_digits_and_their_labels():
    images, labels, test, truth = digits()
    dbn = joint(images, labels)
    assert dbn.labels is not None
    grey = test.float() / 255

    def error(model):
        return (label_log_probability(model, grey).argmax(1) != truth).double().mean().item()

    greedily = error(dbn)
    assert greedily < 0.15
    negatives = (hm.ContrastiveDivergence(3), hm.ContrastiveDivergence(6))
    state = hm.wake_sleep(
        dbn,
        images,
        labels=labels,
        negative=lambda epoch: negatives[epoch // 6],
        epochs=12,
        batch_size=50,
        optimizer=partial(hm.MomentumSGD, lr=0.02, momentum=0.5),
        validation=(test, truth),
        averaging=0.2,
        progress=False,
    )
    assert state.history[-1]["validation_error_percent"] == pytest.approx(100 * error(dbn))
    assert error(state.averaged()) <= greedily
    fantasies = dbn.generate(200, steps=200, generator=torch.Generator().manual_seed(0), labels=torch.arange(200) % 10)
    judged = label_log_probability(dbn, fantasies).argmax(1)
    assert (judged == torch.arange(200) % 10).double().mean() > 0.7


def learn(checkpoint=None, epochs=3, callbacks=(), negative=None):
    torch.set_num_threads(1)
    images, labels, *_ = digits()
    dbn = joint(images[:200], labels[:200], epochs=1)
    return hm.wake_sleep(
        dbn,
        images[:200],
        labels=labels[:200],
        negative=negative or hm.PersistentCD(20, 2),
        epochs=epochs,
        batch_size=30,
        optimizer=partial(torch.optim.SGD, lr=0.02, momentum=0.5),
        weight_cost=1e-3,
        averaging=0.3,
        seed=4,
        checkpoint=checkpoint,
        callbacks=callbacks,
        progress=False,
    )


class Break(hm.Callback):
    def on_step(self, state):
        if state.step == 10:
            raise KeyboardInterrupt


def test_it_resumes_to_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.setattr("harmonium.learning.trainer.CHECKPOINT_SECONDS", 0.0)
    whole = learn()
    path = tmp_path / "state"
    with pytest.raises(KeyboardInterrupt):
        learn(path, callbacks=[Break()])
    again = learn(path)
    assert again.step == whole.step
    for one, other in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, other)
    for name, value in whole.average.items():
        assert torch.equal(value, again.average[name])
    assert whole.chains is not None
    assert torch.equal(whole.chains, again.chains)


def test_a_state_trains_on():
    whole, part = learn(epochs=3), learn(epochs=2)
    images, labels, *_ = digits()
    again = hm.wake_sleep(
        part.model,
        images[:200],
        labels=labels[:200],
        negative=hm.PersistentCD(20, 2),
        epochs=3,
        batch_size=30,
        averaging=0.3,
        seed=4,
        state=part,
        progress=False,
    )
    for one, other in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_what_does_not_fit_is_refused():
    images, labels, *_ = digits()
    dbn = joint(images[:100], labels[:100], epochs=1)
    with pytest.raises(ValueError, match="no labels are given"):
        hm.wake_sleep(dbn, images)
    with pytest.raises(ValueError, match="one label for each"):
        hm.wake_sleep(dbn, images, labels=labels[:10])
    with pytest.raises(ValueError, match="from 0 to 9, found 11"):
        hm.wake_sleep(dbn, images, labels=torch.full((len(images),), 11))
    bare = copy.deepcopy(dbn)
    with pytest.raises(ValueError, match="no label units"):
        hm.wake_sleep(hm.DBN(bare.rbms[:-1]), images, labels=labels)
    with pytest.raises(ValueError, match=r"use hm\.fit"):
        hm.wake_sleep(hm.DBN(bare.rbms[:1]), images)
    with pytest.raises(ValueError, match="FastPCD"):
        hm.wake_sleep(dbn, images, labels=labels, negative=hm.FastPCD(10))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least two hidden layers"):
        hm.greedy(images, [hm.Bernoulli(64, values="probabilities"), hm.Bernoulli(5)], labels=labels)
    for wrong, words in ((labels[:3], "one a case"), (labels.float(), "float32"), (labels + 5, "found 14")):
        with pytest.raises(ValueError, match=words):
            hm.greedy(images, [hm.Bernoulli(64, values="probabilities"), hm.Bernoulli(5), hm.Bernoulli(5)], labels=wrong, classes=10)
