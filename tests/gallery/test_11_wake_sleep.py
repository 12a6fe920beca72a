"""Wake-sleep against sums over every state in NumPy, and its update against the slopes of its two objectives."""

import itertools

import numpy as np
import pytest
import torch
from scipy.special import expit, logsumexp

import harmonium as hm
from tests.gallery.scripts import run


def states(units: int) -> np.ndarray:
    return np.array(list(itertools.product([0.0, 1.0], repeat=units)))


def weights(layer: torch.nn.Module) -> tuple[np.ndarray, np.ndarray]:
    """A directed layer's coupling and its unit's biases."""
    return layer.coupling.weight.detach().double().numpy().copy(), layer.unit.bias.detach().double().numpy().copy()


def summed(net: hm.DBN, v: np.ndarray) -> tuple[float, float]:
    """The mean log p(v) and bound of an untied net of one directed layer."""
    (up, recognised), (down, pixels) = weights(net.recognition[0]), weights(net.generative[0])
    top = [p.detach().double().numpy() for p in (net.top.coupling.weight, net.top.visible.bias, net.top.hidden.bias)]
    h, upper = states(len(recognised)), states(len(top[2]))
    joint = (h @ top[1])[:, None] + h @ top[0] @ upper.T + upper @ top[2]
    prior = logsumexp(joint, axis=1) - logsumexp(joint)
    on = h @ down.T + pixels
    log_down = v @ on.T - np.logaddexp(0, on).sum(1)
    q = expit(v @ up + recognised)[:, None]
    log_q = np.log(np.where(h == 1, q, 1 - q)).sum(2)
    return logsumexp(log_down + prior, axis=1).mean(), (np.exp(log_q) * (log_down + prior - log_q)).sum(1).mean()


def test_wake_sleep() -> None:
    found = run("plot_11_wake_sleep")
    assert found["figures"] == ["wake_sleep"]
    images = found["images"].double().numpy()
    bars = {tuple(np.repeat(row, 4)) for row in states(4)} | {tuple(np.tile(row, 4)) for row in states(4)}
    assert sorted(map(tuple, images)) == sorted(bars)
    assert len(images) == 30

    watch = found["watch"]
    np.testing.assert_allclose((watch.log_p[-1], watch.bound[-1]), summed(found["dbn"], images), atol=1e-4)
    assert watch.log_p[0] + 1 < watch.log_p[-1] < -np.log(30)
    assert watch.bound[0] + 1 < watch.bound[-1] < watch.log_p[-1]
    for errors in (found["wake"], found["sleep"]):
        assert np.mean(errors[-10:]) < 0.8 * np.mean(errors[:10])
    assert watch.log_p[-1] - watch.bound[-1] < 0.8 * (watch.log_p[0] - watch.bound[0])
    up, down, before = (np.linalg.norm(found[name].numpy()) for name in ("up", "down", "before"))
    assert found["apart"] > 0.5
    assert 0.7 * before < up < 1.2 * before
    assert down > 1.4 * before


def test_an_update_follows_the_slopes_at_its_states(monkeypatch: pytest.MonkeyPatch) -> None:
    """One update, the states that it drew written down: p(v | h) awake, Q(h | v) asleep, their means' slopes by the delta rule."""
    rbms = [hm.RBM(hm.Bernoulli(a), hm.Bernoulli(b), hm.Dense(a, b, scale=1.0, seed=b)).double() for a, b in ((6, 4), (4, 3))]
    net = hm.DBN(rbms).untie()
    v = torch.tensor([1.0, 0, 0, 1, 1, 0]).double().expand(20, 6).clone()  # one image, so that the order of the cases does not matter
    (up, recognised), (down, pixels) = weights(net.recognition[0]), weights(net.generative[0])
    drawn: list[np.ndarray] = []
    sample = hm.Bernoulli.sample

    def written(self, *arguments, **keywords):
        found = sample(self, *arguments, **keywords)
        drawn.append(found.double().numpy().copy())
        return found

    monkeypatch.setattr(hm.Bernoulli, "sample", written)
    descent = lambda groups: torch.optim.SGD(groups, lr=1.0)  # noqa: E731
    negative = hm.ContrastiveDivergence()
    hm.wake_sleep(net, v, negative=negative, pixels="sample", epochs=1, batch_size=20, optimizer=descent, progress=False)

    # Drawn: h awake, then in the top RBM its hidden units and the dreamt h, then the dreamt pixels.
    awake, (dreamt, dream) = drawn[0], drawn[-2:]
    assert [part.shape[1] for part in (awake, dreamt, dream)] == [4, 4, 6]
    (new_up, new_recognised), (new_down, new_pixels) = weights(net.recognition[0]), weights(net.generative[0])
    wrong = dreamt - expit(dream @ up + recognised)
    np.testing.assert_allclose(new_up - up, dream.T @ wrong / 20, atol=1e-10)
    np.testing.assert_allclose(new_recognised - recognised, wrong.mean(0), atol=1e-10)
    wrong = v.numpy() - expit(awake @ down.T + pixels)
    np.testing.assert_allclose(new_down - down, wrong.T @ awake / 20, atol=1e-10)
    np.testing.assert_allclose(new_pixels - pixels, wrong.mean(0), atol=1e-10)
