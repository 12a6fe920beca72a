"""A row of weight two counts as the row twice, whatever else its batch holds."""

from functools import partial

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.units import NOTHING
from tests.models.machines import close

SGD = partial(torch.optim.SGD, lr=0.02)


def share_of_ones(data, *, epochs, **settings) -> float:
    """p(v = 1) of the machine that is learnt, by listing its states; the mean over its last epochs, for learning ends in noise."""
    seen: list[float] = []

    class Look(hm.Callback):
        def on_epoch(self, state: hm.TrainingState) -> None:
            if state.epoch > epochs // 2:
                p = torch.softmax(-state.model.free_energy(torch.tensor([[0.0], [1.0]])), dim=0)
                seen.append(p[1].item())

    rbm = hm.RBM(hm.Bernoulli(1), hm.Bernoulli(1))
    hm.fit(rbm, data, epochs=epochs, callbacks=[Look()], progress=False, **settings)
    return float(np.mean(seen))


@pytest.mark.parametrize("batch_size", [1, 7, 100])
@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_heavy_rows_are_not_damped_in_small_batches(batch_size: int) -> None:
    """One case in 25 weighs 24 times as much as each other: half of all weight.

    Four standard errors; where each batch divides by its own weight, batches of one end at 0.06, and of seven at 0.23.
    """
    rows, weights = torch.zeros(200, 1), torch.ones(200)
    rows[:8], weights[:8] = 1.0, 24.0
    settings = {"optimizer": partial(torch.optim.SGD, lr=0.004 * batch_size**0.5), "negative": hm.PersistentCD(100)}
    found = share_of_ones(rows, sample_weight=weights, batch_size=batch_size, epochs=50, **settings)
    assert abs(found - 0.5) < 0.07


def test_a_stream_s_heavy_rows_are_not_damped_either() -> None:
    rows, weights = torch.zeros(200, 1), torch.ones(200)
    rows[::25], weights[::25] = 1.0, 24.0

    class Stream:
        def __iter__(self):
            for start in range(0, 200, 8):
                yield rows[start : start + 8], weights[start : start + 8]

    found = share_of_ones(Stream(), epochs=50, optimizer=partial(torch.optim.SGD, lr=0.012), negative=hm.PersistentCD(100))
    assert abs(found - 0.5) < 0.07


@pytest.mark.parametrize("kind", ["array", "stream", "given"])
def test_rows_of_no_weight_are_ignored_exactly_even_where_they_hold_nan(kind: str) -> None:
    """The same as without them, to rounding, batches and draws included."""
    kept = (torch.rand(30, 4, generator=torch.Generator().manual_seed(0)) < 0.4).float()
    rows = torch.full((60, 4), torch.nan)
    rows[::2] = kept
    weights = torch.zeros(60)
    weights[::2] = 1.0
    found = []
    for data, weight in ((rows, weights), (kept, None)):
        rbm = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3), seed=1)
        settings = {"epochs": 3, "batch_size": 7, "progress": False, "optimizer": SGD}
        if kind == "stream":
            batches = [(data, torch.ones(len(data)) if weight is None else weight)]
            hm.fit(rbm, batches, **settings)
        else:
            given = NOTHING if kind == "array" else hm.Given(present=torch.ones(len(data), 4, dtype=torch.bool))
            hm.fit(rbm, data, sample_weight=weight, given=given, **settings)
        found.append(rbm)
    for one, other in zip(found[0].parameters(), found[1].parameters(), strict=True):
        close(one, other.detach().numpy(), 1e-6)


def test_no_weight_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="each of the 4 cases a weight of zero"):
        hm.fit(hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3)), torch.eye(4), sample_weight=[0.0] * 4, progress=False)


@pytest.mark.parametrize("gradient", ["plain", "centred", "enhanced"])
def test_one_full_batch_is_that_of_the_rows_repeated(gradient: str) -> None:
    """Rules that draw nothing, one step: gradients and offsets too."""
    rows, weights = torch.eye(4)[[0, 1, 3]], torch.tensor([3.0, 1.0, 2.0])
    found = []
    for data, weight in ((rows, weights), (rows.repeat_interleave(weights.long(), 0), None)):
        rbm = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3), seed=1).double()
        rule = hm.PersistentCD(5) if gradient == "enhanced" else hm.ExactGradient()
        settings = {"gradient": gradient, "epochs": 1, "optimizer": SGD, "progress": False}
        hm.fit(rbm, data, sample_weight=weight, negative=rule, **settings)
        found.append(rbm)
    for one, other in zip(found[0].parameters(), found[1].parameters(), strict=True):
        close(one, other.detach().numpy(), 1e-10)


def test_every_layer_of_a_stack_has_the_weights() -> None:
    """In full batches of a rule that draws nothing: as with the rows repeated."""
    rows, weights = torch.eye(4).double()[[0, 1, 3]], torch.tensor([3.0, 0.0, 2.0])
    found = []
    for data, weight in ((rows, weights), (rows.repeat_interleave(weights.long(), 0), None)):
        layers = [hm.Bernoulli(4).double(), hm.Bernoulli(3).double(), hm.Bernoulli(2).double()]
        settings = {"epochs": 3, "negative": hm.ExactGradient(), "gradient": "plain", "optimizer": SGD, "progress": False}
        found.append(hm.greedy(data, layers, seed=1, sample_weight=weight, **settings))
    for one, other in zip(found[0].parameters(), found[1].parameters(), strict=True):
        close(one, other.detach().numpy(), 1e-10)
