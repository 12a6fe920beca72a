"""Fair coins teach no bias, whatever the sizes of batches and chains (a known peer's bug drove it to 24.9)."""

import numpy as np
import pytest
import torch

import harmonium as hm
from tests.learning.signal import begun, contrastive_gradient

COINS = torch.tensor([[0.0], [1.0]]).repeat(50, 1)
SIZES = [1, 7, 33, 100, 1000]


@pytest.mark.parametrize("batch_size", SIZES)
@pytest.mark.parametrize("negative", [hm.ContrastiveDivergence(), hm.PersistentCD(chains=9), hm.PersistentCD(chains=100)])
@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_biases_stay_near_zero(negative, batch_size):
    """A bias that leaves zero is pulled back by its own samples, so that it settles into noise about zero.

    Its stationary variance under steps of size lr on a gradient of variance s² and slope 1/4 is about lr · s² / (2 · 1/4).
    """
    biases = []
    for seed in range(2):
        rbm = hm.RBM(hm.Bernoulli(1), hm.Bernoulli(1), seed=seed)
        lr = 0.05
        optimizer = lambda groups, lr=lr: torch.optim.SGD(groups, lr=lr)  # noqa: E731
        epochs = max(3, 300 * min(batch_size, 100) // 100)
        hm.fit(rbm, COINS, negative=negative, epochs=epochs, batch_size=batch_size, optimizer=optimizer, seed=seed, progress=False)
        biases.append(rbm.visible.bias.item())
    batches = [len(batch) for batch in COINS.split(batch_size)]  # a short last one is noisier
    chains = batches if negative.paired else [negative.chains] * len(batches)
    s2 = np.mean([0.25 / cases + 0.25 / particles for cases, particles in zip(batches, chains, strict=True)])
    deviation = np.sqrt(0.05 * s2 * 2)
    assert np.abs(biases).max() < 5 * deviation
    assert abs(np.mean(biases)) < 4 * deviation / np.sqrt(2)


@pytest.mark.parametrize("sizes", [(7, 100), (33, 10), (99, 1)])
def test_the_expected_update_of_a_short_batch_is_that_of_a_long_one(sizes):
    """At the fixed point the mean signal is zero at every batch size: four standard errors over many draws."""
    rbm = hm.RBM(hm.Bernoulli(1), hm.Bernoulli(1)).double()
    rbm.coupling.weight.data.zero_()
    batch_size, chains = sizes
    generator, signals = torch.Generator().manual_seed(0), []
    negative = hm.PersistentCD(chains=chains)
    state = begun(rbm, negative)
    for _ in range(2000):
        v = (torch.rand(batch_size, 1, generator=generator, dtype=torch.float64) < 0.5).double()
        contrastive_gradient(rbm, v, None, negative, state)
        signals.append(rbm.visible.bias.grad.item())
    expected = np.sqrt(0.25 / batch_size + 0.25 / chains)
    assert np.std(signals) == pytest.approx(expected, rel=0.1)
    assert abs(np.mean(signals)) < 4 * np.std(signals) / np.sqrt(len(signals))
