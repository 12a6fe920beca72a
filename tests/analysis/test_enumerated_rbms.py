"""The tables of whole machines against plain numpy and the library's own RBM, and where learning rests."""

import itertools

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.analysis import EnumeratedRBMs, asymmetry, find_fixed_point, minimise_contrast

MACHINES = EnumeratedRBMs(4, 3)
RULES = (1, 2, 5, None)


def some(machines: int, scale: float = 1.0, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Random parameters, and distributions for them."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(machines, len(MACHINES.v), generator=generator, dtype=torch.float64)
    return MACHINES.draw(machines, scale, generator), logits.softmax(-1)


def by_hand(theta: np.ndarray, p: np.ndarray, steps: int | None) -> np.ndarray:
    """The mean update, by loops over a table of the joint distribution; the first visible unit's state changes fastest."""
    b, c, weight = theta[:4], theta[4:7], theta[7:].reshape(4, 3)
    states = [np.array(state[::-1], dtype=float) for state in itertools.product((0, 1), repeat=4)]
    hidden = [np.array(state, dtype=float) for state in itertools.product((0, 1), repeat=3)]
    joint = np.array([[np.exp(v @ b + h @ c + v @ weight @ h) for h in hidden] for v in states])
    joint /= joint.sum()
    up, down = joint / joint.sum(1, keepdims=True), (joint / joint.sum(0)).T
    q = joint.sum(1) if steps is None else p @ np.linalg.matrix_power(up @ down, steps)
    update = np.zeros_like(theta)
    for n, v in enumerate(states):
        for m, h in enumerate(hidden):
            update += (p[n] - q[n]) * up[n, m] * np.concatenate([v, h, np.outer(v, h).ravel()])
    return update


@pytest.mark.parametrize("steps", RULES)
def test_the_mean_update_and_its_derivative(steps: int | None) -> None:
    theta, p = some(3, 1.5)
    signal = MACHINES.mean_update(theta, p, steps)
    for n in range(3):
        x, q = theta[n].numpy(), p[n].numpy()
        assert signal.update[n].numpy() == pytest.approx(by_hand(x, q, steps), abs=1e-12)
        for place in range(len(x)):
            step = 1e-5 * np.eye(len(x))[place]
            slope = (by_hand(x + step, q, steps) - by_hand(x - step, q, steps)) / 2e-5
            assert signal.jacobian[n, :, place].numpy() == pytest.approx(slope, abs=1e-8)
    torch.testing.assert_close(MACHINES.update(theta, p, steps), signal.update)


def test_the_tables_are_those_of_the_model() -> None:
    theta, p = some(2)
    model = MACHINES.rbm(theta[1])
    assert torch.equal(MACHINES.row(model), theta[1])
    transition = hm.likelihood.exact_transition(model)
    assert torch.equal(transition.states, MACHINES.v)
    torch.testing.assert_close(transition.after(p[1], 3), MACHINES.after(theta, p, 3)[1])
    log_p = hm.likelihood.log_likelihood(model, MACHINES.v, log_z=hm.likelihood.exact_log_z(model))
    torch.testing.assert_close(log_p, MACHINES.log_p(theta)[1])
    model.accumulate_gradient(model.infer(MACHINES.v), weights=p[1] - transition.after(p[1], 3).detach(), fresh=True)
    gradient = torch.cat([model.get_parameter(name).grad.flatten() for name in ("visible.bias", "hidden.bias", "coupling.weight")])
    torch.testing.assert_close(-gradient, MACHINES.update(theta, p, 3)[1])


def test_weight_cost_is_that_of_an_optimiser() -> None:
    theta, p = some(2)
    cost = EnumeratedRBMs(4, 3, weight_cost=0.1)
    expected = torch.cat([torch.zeros(2, 7), 0.1 * theta[:, 7:]], dim=1)
    torch.testing.assert_close(MACHINES.update(theta, p, 1) - cost.update(theta, p, 1), expected)
    drop = MACHINES.mean_update(theta, p, 1).jacobian - cost.mean_update(theta, p, 1).jacobian
    torch.testing.assert_close(drop, torch.diag(0.1 * expected[0].ne(0).double()).expand(2, -1, -1))


def test_the_contrast_is_never_negative_and_its_gradient_has_a_neglected_term() -> None:
    theta, p = some(4)
    for steps in (1, 3):
        followed, neglected = MACHINES.neglected(theta, p, steps)
        assert bool((MACHINES.contrast(theta, p, steps) > 0).all())
        for place in (0, 5, 12):
            step = 1e-5 * torch.eye(MACHINES.size, dtype=torch.float64)[place]
            slope = (MACHINES.contrast(theta + step, p, steps) - MACHINES.contrast(theta - step, p, steps)) / 2e-5
            torch.testing.assert_close(followed[:, place] + neglected[:, place], slope, atol=1e-8, rtol=1e-6)
        torch.testing.assert_close(followed, -MACHINES.update(theta, p, steps))
        assert bool((neglected.norm(dim=1) > 1e-3).all())


def test_the_update_of_cd_is_no_gradient_and_that_of_the_likelihood_is() -> None:
    theta, p = some(5)
    assert bool((asymmetry(MACHINES.mean_update(theta, p, None).jacobian) < 1e-12).all())
    first, fifth = (asymmetry(MACHINES.mean_update(theta, p, steps).jacobian) for steps in (1, 5))
    assert bool((first > 0.01).all())
    assert bool((fifth < first).all())


def test_a_distribution_that_the_machine_has_is_a_fixed_point_of_every_rule() -> None:
    theta, _ = some(4)
    p = MACHINES.log_p(theta).exp()
    for steps in RULES:
        assert bool((MACHINES.update(theta, p, steps).abs() < 1e-14).all())
        # And nothing is lost from elsewhere nearby.
        rest = find_fixed_point(MACHINES, theta + 0.05, p, steps)
        assert bool((rest.residual < 1e-9).all())
        assert bool((MACHINES.kl(rest.theta, p) < 1e-8).all())


def test_rests_are_no_saddles_and_cd_has_a_bias() -> None:
    """Zero weights are a place at rest, which small ones must leave; the likelihood's optimum is one of plain ascent too."""
    cost = EnumeratedRBMs(4, 3, weight_cost=0.01)
    generator = torch.Generator().manual_seed(1)
    p = torch.full((2, 16), 0.01, dtype=torch.float64)
    p[:, [0, 15]] = 0.43  # two modes
    p[1] = torch.softmax(3 * torch.randn(16, generator=generator, dtype=torch.float64), 0)
    start = cost.draw(2, 1e-4, generator)
    best = find_fixed_point(cost, start, p, None)
    assert bool((best.residual < 1e-9).all())
    assert bool((best.growth < 0).all())
    ascent = start.clone()
    for _ in range(6000):
        ascent += 0.5 * cost.update(ascent, p, None)
    torch.testing.assert_close(cost.kl(ascent, p), cost.kl(best.theta, p), atol=1e-6, rtol=0)
    assert cost.kl(best.theta, p)[0] < cost.kl(torch.zeros_like(start), p)[0] - 0.3
    rest = find_fixed_point(cost, best.theta, p, 1)
    assert bool((cost.update(rest.theta, p, 1).abs() < 1e-9).all())
    assert bool((MACHINES.kl(rest.theta, p) > MACHINES.kl(best.theta, p) + 1e-5).any())


def test_the_least_contrast_is_where_its_gradient_ends() -> None:
    cost = EnumeratedRBMs(4, 3, weight_cost=0.01)
    theta, p = some(3)
    found = minimise_contrast(cost, find_fixed_point(cost, theta, p, 1).theta, p)
    ends = []
    for place in (0, 5, 12):
        step = 1e-4 * torch.eye(cost.size, dtype=torch.float64)[place]
        above, below = (cost.contrast(x, p, 1) + 0.5 * (cost.cost * x.square()).sum(-1) for x in (found + step, found - step))
        ends.append((above - below) / 2e-4)
    assert bool((torch.stack(ends).abs() < 1e-4).all())
    rest = find_fixed_point(cost, theta, p, 1).theta
    fall = cost.contrast(rest, p, 1) - cost.contrast(found, p, 1) + 0.5 * (cost.cost * (rest.square() - found.square())).sum(-1)
    assert bool((fall > 0).all())
