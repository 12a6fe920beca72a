"""Posteriors, gradients and bounds of the page on sigmoid belief nets, against sums over all states in NumPy."""

import numpy as np
import pytest

from tests.gallery.scripts import run


def binary(units: int) -> np.ndarray:
    """All states, (states, units)."""
    return ((np.arange(2**units)[:, None] >> np.arange(units)) & 1).astype(float)


def bernoulli(states: np.ndarray, input: np.ndarray) -> np.ndarray:
    """The probability of each state, (states, units), given each row of inputs, (rows, units): (rows, states)."""
    on = 1 / (1 + np.exp(-input))
    return np.prod(np.where(states[None] > 0, on[:, None], 1 - on[:, None]), axis=2)


def test_what_the_page_says() -> None:
    found = run("plot_03_sigmoid_belief_nets")
    assert found["figures"] == ["complicated_posterior", "guaranteed_to_improve_a_bound"]

    # The net of bars.
    v, h = binary(9), binary(6)
    weight = np.zeros((9, 6))
    for pixel in range(9):
        weight[pixel, pixel % 3] = weight[pixel, 3 + pixel // 3] = 5
    given_bars = bernoulli(v, -3 + h @ weight.T).T  # (pictures, states of the bars)
    direction = np.where(np.arange(6) < 3, 6.0, -6.0)
    inputs = np.stack([np.where(np.arange(6) < 3, -6.0, 0.0), np.where(np.arange(6) < 3, -6.0, 0.0) + direction])
    prior = bernoulli(h, inputs).mean(0)
    loose = bernoulli(h, np.log(prior @ h / (1 - prior @ h))[None])[0]
    own, alone = (given_bars[-1] * p / (given_bars[-1] @ p) for p in (prior, loose))
    marginal = own @ h
    product = np.prod(np.where(h > 0, marginal, 1 - marginal), axis=1)
    for expected, (name, p) in zip((own, alone, product), found["found"].items(), strict=True):
        np.testing.assert_allclose(p.detach(), expected, atol=1e-12, err_msg=name)
        assert found["nats"][name] == pytest.approx(own @ np.log(own / expected), abs=1e-9)
    both = h[:, :3].sum(1) - h[:, 3:].sum(1)
    assert own[np.abs(both) == 3].sum() == pytest.approx(0.989, abs=5e-4)
    assert alone[np.abs(both) == 3].sum() == pytest.approx(0.293, abs=5e-4)
    assert own @ np.log(own / product) > 3
    assert own @ np.log(own / alone) > 1

    # The learning rule on the net's own data: Σ p(v) Σ q(h | v) (p_i - v_i) h_j.
    data = given_bars @ prior
    on = 1 / (1 + np.exp(3 - h @ weight.T))
    for p, pull in zip((prior, loose), found["pull"], strict=True):
        q = data[:, None] * given_bars * p / (given_bars @ p)[:, None]
        gradient = (q.sum(0)[:, None] * on - q.T @ v).T @ h
        assert pull == pytest.approx(np.linalg.norm(gradient), abs=1e-10)
    assert found["pull"][0] < 1e-12 < 1e-3 < found["pull"][1]

    # Learning: no half-step lowers a bound, each is below log p, and all four come on.
    bounds = {how: values for how, values in found["bounds"].items() if values}
    assert list(bounds) == ["mean field", "mean field, quadratic"]
    for how, values in bounds.items():
        assert len(values) == 800
        assert np.diff(values).min() > 0, how
    for how, values in found["missing"].items():
        assert values[-1] < 0.55 * values[0], how
        if how in bounds:
            entropy = -(found["share"] * found["share"].log()).sum().item()
            assert (np.array(bounds[how][::2]) <= -entropy - np.array(values) + 1e-9).all()

    # Learning by a bound makes it a tighter one than learning with the exact posterior does.
    for how, quadratic in (("mean field", False), ("mean field, quadratic", True)):
        assert 0 < found["below"][how][quadratic] < 0.8 * found["below"]["exact posterior"][quadratic]

    # The last of the nets and its q: bound <= the factorial q's own <= log p, by a sum over 2^8 hidden states.
    learner, q, share = found["learner"], found["q"], found["share"].numpy()
    (w1, w2), (b0, b1, b2) = (
        [layer.coupling.weight.detach().numpy() for layer in learner.generative],
        [unit.bias.detach().numpy() for unit in learner.layers],
    )
    top, pictures = binary(2), found["pictures"].double().numpy()
    given_h = bernoulli(pictures, b0 + h @ w1.T).T
    log_prior = np.log(bernoulli(h, b1 + top @ w2.T) * bernoulli(top, b2[None])[0][:, None])  # (top, bars)
    joint = np.log(given_h)[:, None] + log_prior
    log_p = np.log(np.exp(joint).sum((1, 2)))
    first, second = (
        np.prod(np.where(states[None] > 0, mean.numpy()[:, None], 1 - mean.numpy()[:, None]), axis=2)
        for states, mean in zip((h, top), q.means, strict=True)
    )
    factorial = second[:, :, None] * first[:, None]
    elbo = (factorial * (joint - np.log(factorial))).sum((1, 2))
    assert bounds["mean field, quadratic"][-1] < share @ elbo < share @ log_p
    np.testing.assert_allclose(learner.log_probability(found["pictures"]).detach(), log_p, atol=1e-9)
