"""The wirings: the truth by listing every image, the costs by counting, and which wiring is nearer to it."""

import itertools

import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from tests.gallery import prose
from tests.gallery.scripts import GALLERY, run


@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_locality() -> None:
    name = "plot_26_locality"
    assert not prose.without_source((GALLERY / f"{name}.py").read_text(), "")
    found = run(name, **{"HEIGHT, LENGTHS, COUPLING": "8, (2, 8), 0.3", "UPDATES, RATE, BETAS": "1000, 0.2, 200"})
    assert found["figures"] == ["locality"]

    # Two columns of eight pixels have 65,536 states: log p of each drawn image by the sum over all of them.
    every = np.array(list(itertools.product([-1, 1], repeat=16))).reshape(-1, 8, 2)
    energy = 0.3 * ((every[:, 1:] * every[:, :-1]).sum((1, 2)) + (every[:, :, 1] * every[:, :, 0]).sum(1))
    images, log_p = found["strips"](2, 2000, 7)
    spins = 2 * images[:, 0].double().numpy() - 1
    own = 0.3 * ((spins[:, 1:] * spins[:, :-1]).sum((1, 2)) + (spins[:, :, 1] * spins[:, :, 0]).sum(1))
    np.testing.assert_allclose(log_p, own - logsumexp(energy), atol=1e-9)
    p = np.exp(energy - logsumexp(energy))
    for first, second in (((0, 0), (0, 1)), ((3, 0), (4, 0))):  # correlations of drawn images
        mean = p @ (every[:, *first] * every[:, *second])
        drawn = spins[:, *first] * spins[:, *second]
        assert abs(drawn.mean() - mean) < 4.5 * np.sqrt((1 - mean**2) / 2000)

    # A unit sees nine pixels, six at a side and four in a corner; what it does not see has no weight after learning either.
    rbm = found["machine"]("local", 8)
    seen = torch.tensor([abs(a // 8 - b // 8) <= 1 and abs(a % 8 - b % 8) <= 1 for a in range(64) for b in range(64)]).reshape(64, 64)
    assert torch.equal(rbm.coupling.weight != 0, seen)
    assert found["cost"]("local", 8)[0] == int(seen.sum()) == 22 * 22
    assert found["cost"]("dense", 8)[0] == 4096
    assert found["cost"]("convolutional", 8) == (18, 18 * 64)

    error = found["error"]
    assert all(error[wiring, length] > -0.1 for wiring in found["wirings"] for length in (2, 8))
    assert error["local", 8] < error["dense", 8]
    assert error["convolutional", 8] < error["dense", 8]
