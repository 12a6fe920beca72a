"""The contrastive loss and the distance, against a loop over pairs and finite differences."""

import math
from functools import partial

import numpy as np
import pytest
import torch

import harmonium as hm

BOUND = 8.0


def by_hand(pairs, same):
    """Chopra, Hadsell & LeCun (2005), equation by equation: one pair after the other."""
    losses = []
    for (one, other), alike in zip(pairs, same, strict=True):
        distance = sum(abs(a - b) for a, b in zip(one, other, strict=True))
        losses.append(2 / BOUND * distance**2 if alike else 2 * BOUND * math.exp(-2.77 / BOUND * distance))
    return sum(losses) / len(losses)


def some():
    draw = np.random.default_rng(0)
    return draw.uniform(-1, 1, (9, 2, 4)), draw.integers(0, 2, 9)


def test_it_is_the_loss_of_the_paper_and_so_is_its_gradient():
    pairs, same = some()
    shown = torch.tensor(pairs, requires_grad=True)
    loss = hm.nets.contrastive_loss(hm.nets.Distance()(shown), torch.tensor(same), bound=BOUND)
    assert loss.item() == pytest.approx(by_hand(pairs, same), rel=1e-12)
    loss.backward()
    for place in [(0, 0, 0), (3, 1, 2), (8, 0, 3)]:
        step = np.zeros_like(pairs)
        step[place] = 1e-6
        slope = (by_hand(pairs + step, same) - by_hand(pairs - step, same)) / 2e-6
        assert shown.grad[place].item() == pytest.approx(slope, rel=1e-6)


def test_pairs_of_the_same_draw_together_and_others_apart():
    shown, same = torch.eye(8).reshape(4, 2, 8), torch.tensor([1.0, 0.0, 1.0, 0.0])
    pairs = hm.nets.Visible(hm.Gaussian(8), leading=(2,))
    net = torch.nn.Sequential(pairs, torch.nn.Linear(8, 4), torch.nn.Tanh(), hm.nets.Distance())
    for number, parameter in enumerate(net.parameters()):
        torch.nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(number))
    loss = partial(hm.nets.contrastive_loss, bound=BOUND)
    state = hm.fine_tune(net, shown, same, loss=loss, epochs=40, head_epochs=0, batch_size=2, progress=False)
    together, apart = (hm.predict(net, shown)[same == kind] for kind in (1, 0))
    assert together.max() < 0.5 < 3 < apart.min()
    assert state.history[-1]["train_loss"] < 0.3 * state.history[0]["train_loss"]


def test_a_bound_is_positive():
    with pytest.raises(ValueError, match=r"bound of the distances must be above 0, found 0: twice the number of features"):
        hm.nets.contrastive_loss(torch.ones(2), torch.ones(2), bound=0)
