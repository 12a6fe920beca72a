"""Sequences that go on, against closed forms and enumeration."""

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.sampling import continue_sequence


def machine(layer, weight, units=1, count=1, **matrices):
    size = layer.shape[0]
    rbm = hm.RBM(layer, hm.Bernoulli(units), hm.Conditional(hm.Dense(size, units), size * count))
    with torch.no_grad():
        rbm.coupling.coupling.weight.copy_(weight)
        for side, matrix in matrices.items():
            rbm.coupling.dynamic[side].copy_(matrix)
    return rbm


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_without_hidden_weights_it_is_the_autoregressive_process():
    """Means follow the recursion x_t = b + A_1 x_{t-2} + A_2 x_{t-1} exactly; samples have its stationary covariance."""
    older, newer = torch.tensor([[0.2, 0.1], [-0.1, 0.3]]), torch.tensor([[0.5, -0.2], [0.3, 0.4]])
    rbm = machine(hm.Gaussian(2, variance=0.25), torch.zeros(2, 1), count=2, visible=torch.cat([older, newer]))
    torch.nn.init.constant_(rbm.visible.bias, 0.3)
    past = torch.tensor([[9.0, 9], [1, 0], [0.5, -1]])
    found = continue_sequence(rbm, past, 6, values="mean", generator=generator())
    x = [past[1], past[2]]
    for _ in range(6):
        x.append(0.3 + x[-2] @ older + x[-1] @ newer)
    torch.testing.assert_close(found, torch.stack(x[2:]))
    draws = continue_sequence(rbm, past, 60, continuations=4000, steps=1, generator=generator())[:, -1]
    step = np.zeros((4, 4))
    step[:2, :2], step[:2, 2:], step[2:, :2] = newer.T, older.T, np.eye(2)
    noise = np.diag([0.25, 0.25, 0, 0])
    covariance = np.linalg.solve(np.eye(16) - np.kron(step, step), noise.ravel()).reshape(4, 4)[:2, :2]
    np.testing.assert_allclose(np.cov(draws.T), covariance, atol=4 * 2**0.5 * covariance.max() / 4000**0.5)


def test_binary_frames_follow_the_conditional_distribution():
    """The next frame's distribution, by listing all states, given a context of one frame."""
    weight, matrix = torch.randn(3, 2, generator=generator(1)), 2 * torch.randn(3, 3, generator=generator(2))
    rbm = machine(hm.Bernoulli(3), weight, units=2, visible=matrix, hidden=matrix[:, :2])
    past = torch.tensor([[1.0, 0, 1]])
    drawn = continue_sequence(rbm, past, 1, continuations=8000, generator=generator())[:, 0]
    states = torch.tensor([[i, j, k] for i in (0.0, 1) for j in (0.0, 1) for k in (0.0, 1)])
    score = -rbm.free_energy(states, hm.Given(context=past.expand(8, 3))).detach().double()
    p = torch.softmax(score, 0).numpy()
    counts = np.array([(drawn == state).all(1).double().mean().item() for state in states])
    np.testing.assert_allclose(counts, p, atol=4 * (0.25 / 8000) ** 0.5)


def test_shapes_seeds_and_continuations():
    rbm = machine(hm.Gaussian(2), torch.randn(2, 3, generator=generator()), units=3, count=2, visible=torch.full((4, 2), 0.1))
    past = torch.randn(5, 2, generator=generator())
    one = continue_sequence(rbm, past.numpy(), 7, generator=generator(1))
    assert one.shape == (7, 2)
    assert torch.equal(one, continue_sequence(rbm, past[-2:], 7, generator=generator(1)))
    assert not torch.equal(one, continue_sequence(rbm, past, 7, generator=generator(2)))
    several = continue_sequence(rbm, past, 7, continuations=3, generator=generator(1))
    assert several.shape == (3, 7, 2)
    assert len(several[:, -1].unique(dim=0)) == 3
    both = torch.stack([past, past + 100])
    found = continue_sequence(rbm, both, 1, values="mean", generator=generator(1))
    assert found.shape == (2, 1, 2)
    assert (found[1] - found[0]).abs().min() > 20


def test_what_cannot_go_on_is_refused():
    rbm = machine(hm.Gaussian(2), torch.zeros(2, 1), count=2, visible=torch.full((4, 2), 3.0))
    past = torch.ones(4, 2)
    cases = [
        (TypeError, "found a Dense coupling", hm.RBM(2, 3), past, {}),
        (TypeError, "found a DBM", hm.DBM([hm.Bernoulli(2), hm.Bernoulli(2), hm.Bernoulli(2)]), past, {}),
        (ValueError, "context holds 2 frames, and the past has 1", rbm, past[:1], {}),
        (ValueError, r"expected the past as \(time, 2\)", rbm, torch.ones(4, 3), {}),
        (ValueError, "are those of one sequence", rbm, past[None], {"continuations": 2}),
        (ValueError, "frames=0", rbm, past, {"frames": 0}),
        (ValueError, '"sample" or "mean"', rbm, past, {"values": "mode"}),
        (ValueError, "no whole number of frames", hm.RBM(hm.Gaussian(2), hm.Bernoulli(1), hm.Conditional(hm.Dense(2, 1), 3)), past, {}),
        (FloatingPointError, "grew beyond all bounds", rbm, past, {"frames": 200}),
    ]
    for kind, message, model, before, settings in cases:
        with pytest.raises(kind, match=message):
            continue_sequence(model, before, **{"frames": 3, "generator": generator(), **settings})
