"""Learning a mixture of RBMs: its temperature, its balance, what it says of dead components, and what it finds."""

from functools import partial

import numpy as np
import pytest
import torch

import harmonium as hm
from tests.models.machines import close


def clusters(cases=400, size=16, seed=0):
    """Noisy copies of four patterns, and which."""
    draw = np.random.default_rng(seed)
    patterns, labels = draw.integers(0, 2, (4, size)), draw.integers(0, 4, cases)
    return torch.tensor(patterns[labels] ^ (draw.random((cases, size)) < 0.08), dtype=torch.float32), labels


ROWS, LABELS = clusters()
STILL = partial(torch.optim.SGD, lr=0.0)


def test_clusters_are_found():
    mixture = hm.MixtureOfRBMs(16, 4, components=4)
    hm.fit(mixture, ROWS, updates=300, progress=False)
    found = mixture.cluster(ROWS).numpy()
    majority = sum(np.bincount(LABELS[found == k]).max() for k in range(4) if (found == k).any())
    assert majority >= 0.965 * len(ROWS)  # the true patterns themselves are nearest to 0.98 of their copies


def test_the_temperature_falls_to_one_at_a_constant_ratio():
    seen = []

    class Watch(hm.Callback):
        def on_step(self, state):
            seen.append(state.model.hidden.temperature.item())

    mixture = hm.MixtureOfRBMs(16, 4, components=4, temperature=16.0)
    hm.fit(mixture, ROWS, epochs=4, callbacks=Watch(), progress=False)
    assert seen == pytest.approx([16 ** max(0, 1 - step / 8) for step in range(1, 17)], rel=1e-5)
    mixture, seen[:] = hm.MixtureOfRBMs(16, 4, components=4), []
    hm.fit(mixture, ROWS, epochs=4, callbacks=Watch(), progress=False)
    largest = np.linalg.eigvalsh(np.cov(ROWS.numpy().T, bias=True)).max()
    assert seen[0] == pytest.approx((2 * largest) ** (7 / 8), rel=1e-3)
    hm.fit(mixture, iter([ROWS]), epochs=1, progress=False)
    assert mixture.hidden.temperature.item() == 1


def test_balance_moves_the_biases_of_components_by_their_shares():
    mixture = hm.MixtureOfRBMs(16, 4, components=3, balance=0.7, temperature=2.0)
    with torch.no_grad():
        mixture.coupling.weight.normal_(0, 0.5, generator=torch.Generator().manual_seed(0))
        mixture.visible.bias.normal_(0, 0.5, generator=torch.Generator().manual_seed(1))
    shares = mixture.responsibilities(ROWS, temperature=2.0).mean(0)
    hm.fit(mixture, ROWS, epochs=1, batch_size=400, optimizer=STILL, progress=False)
    close(mixture.hidden.bias[:, 0].detach(), 0.7 * (1 / 3 - shares), 1e-6)
    alone = hm.MixtureOfRBMs(16, 4, components=3, balance=0.0)
    hm.fit(alone, ROWS, epochs=1, batch_size=400, optimizer=STILL, progress=False)
    assert not alone.hidden.bias[:, 0].any()


def test_a_dead_component_is_named():
    mixture = hm.MixtureOfRBMs(16, 4, components=4, balance=0.0)
    mixture.hidden.bias.data[2, 0] = -50
    with pytest.warns(hm.Advice, match=r"of 4 components 1 are chosen for none of 400 cases: raise balance= or temperature="):
        hm.fit(mixture, ROWS, updates=300, progress=False)


class Stop(hm.Callback):
    """Ends the process, as it were, after three epochs."""

    def on_epoch(self, state):
        if state.epoch == 3:
            raise KeyboardInterrupt


def test_resumed_to_the_same_bits(tmp_path):
    make = partial(hm.MixtureOfRBMs, 16, 4, components=4, temperature=8.0)
    whole, parts = make(), make()
    hm.fit(whole, ROWS, epochs=5, progress=False)
    with pytest.raises(KeyboardInterrupt):
        hm.fit(make(), ROWS, epochs=5, checkpoint=tmp_path / "state", callbacks=Stop(), progress=False)
    state = hm.fit(parts, ROWS, epochs=5, checkpoint=tmp_path / "state", progress=False)
    assert state.epoch == 5
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(one, other)
