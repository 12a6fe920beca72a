"""Learning with default settings neither diverges nor ends where no partition function exists, or where Gibbs sampling runs away."""

import os
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.learning.transforms import KeepNormalisable
from tests.models.machines import close

SIZE = 10
LAYERS = {
    "Bernoulli": hm.Bernoulli,
    "Gaussian": hm.Gaussian,
    "TruncatedGaussian": hm.TruncatedGaussian,
    "SteppedSigmoid": hm.SteppedSigmoid,
    "Poisson": hm.Poisson,
    "Exponential": hm.Exponential,
    "NoisyReLU": hm.NoisyReLU,
}
BRITTLE = ("Poisson", "Exponential")
PAIRS = [
    (visible, hidden)
    for visible in LAYERS
    for hidden in LAYERS
    if {visible, hidden} & set(BRITTLE) or (visible != "Bernoulli" and hidden != "Bernoulli")
]


def rows(kind: str, cases: int = 1000) -> torch.Tensor:
    """Of three clusters, whose units are of very different means."""
    draw = np.random.default_rng(0)
    mean = draw.normal(size=(3, SIZE))[draw.integers(3, size=cases)]
    made = {
        "Bernoulli": lambda: draw.random(mean.shape) < 1 / (1 + np.exp(-2 * mean)),
        "Gaussian": lambda: 2 * mean + draw.normal(size=mean.shape),
        "TruncatedGaussian": lambda: np.maximum(0, 2 * mean + draw.normal(size=mean.shape)),
        "NoisyReLU": lambda: np.maximum(0, 2 * mean + draw.normal(size=mean.shape)),
        "SteppedSigmoid": lambda: draw.poisson(np.exp(1 + mean)),
        "Poisson": lambda: draw.poisson(np.exp(1 + mean)),
        "Exponential": lambda: draw.exponential(np.exp(mean)),
    }
    return torch.tensor(made[kind]()).float()


@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_every_pair_stays_where_it_can_be_sampled(visible: str, hidden: str) -> None:
    """200 updates, then 100 sweeps of Gibbs sampling, whose states stay within a few times the data's; at most one warning."""
    data = rows(visible)
    rbm = hm.RBM(LAYERS[visible](SIZE), LAYERS[hidden](8))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        hm.fit(rbm, data, epochs=20, progress=False)
    assert len(seen) <= 1
    if "NoisyReLU" not in (visible, hidden):
        rbm.check_normalisable()
    chains = rbm.gibbs(data[:50], steps=100, generator=torch.Generator().manual_seed(0))
    assert chains.abs().max() < 3 * data.abs().max()
    assert rbm.coupling.weight.abs().max() < 20


def test_the_excess_of_the_largest_singular_value_is_taken_off() -> None:
    """Where one alone exceeds the bound, the projection onto it by a singular value decomposition."""
    draw = np.random.default_rng(0)
    u, s, v = np.linalg.svd(draw.normal(size=(7, 5)), full_matrices=False)
    s = np.array([1.7, 0.8, 0.5, 0.3, 0.1])
    row, column = draw.uniform(0.5, 2, 7), draw.uniform(0.5, 2, 5)
    visible, hidden = hm.Gaussian(7, learn_variance=True), hm.Gaussian(5, learn_variance=True)
    rbm = hm.RBM(visible, hidden).double()
    visible.log_variance.data, hidden.log_variance.data = (torch.tensor(2 * np.log(scale)) for scale in (row, column))
    rbm.coupling.weight.data = torch.tensor(row[:, None] * ((u * s) @ v) * column)
    transform = KeepNormalisable(rbm)
    slots = transform.init(rbm, 0)
    transform.after(rbm, slots)
    found = rbm.coupling.weight.detach().numpy() / row[:, None] / column
    close(torch.tensor(found), (u * np.minimum(s, 1 - 1e-4)) @ v, 1e-4)
    rbm.check_normalisable()
    before = rbm.coupling.weight.detach().clone()
    pulled = slots["pulled"].clone()
    transform.after(rbm, slots)
    assert torch.equal(rbm.coupling.weight, before)
    assert torch.equal(slots["pulled"], pulled)


def test_what_exponential_units_cannot_bear_is_scaled_down_and_the_rest_left() -> None:
    rbm = hm.RBM(hm.Exponential(2), hm.Bernoulli(3)).double()
    rbm.coupling.weight.data = torch.tensor([[0.9, 0.6, -2.0], [0.2, 0.1, -0.4]], dtype=torch.float64)
    transform = KeepNormalisable(rbm)
    transform.after(rbm, transform.init(rbm, 0))
    close(rbm.coupling.weight, [[0.9 * 0.66, 0.6 * 0.66, -2.0 * 0.66], [0.2, 0.1, -0.4]], 1e-12)


def test_one_warning_a_run_says_how_often() -> None:
    data = rows("Poisson")
    with pytest.warns(RuntimeWarning, match="in 30 of 30 updates the weights were pulled back") as seen:
        hm.fit(hm.RBM(hm.Poisson(SIZE), hm.Poisson(8)), data, epochs=3, progress=False)
    assert len(seen) == 1


def needs(file: str) -> pytest.MarkDecorator:
    folder = os.environ.get("HARMONIUM_DATA")
    return pytest.mark.skipif(not folder or not (Path(folder) / file).is_file(), reason=f"HARMONIUM_DATA is not set, or has no {file}")


@needs("cbcl-faces/facesCBCL.mat")
@pytest.mark.filterwarnings("ignore:the variance of the data is 0.0392 times")
@pytest.mark.filterwarnings("ignore:in .* updates the weights were pulled back:RuntimeWarning")
@pytest.mark.parametrize("variance", [{"learn_variance": False}, {"learn_variance": True}])
@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_faces_with_rectified_units_do_not_run_away(variance: dict[str, bool]) -> None:
    """Chains that ended at 10^12."""
    faces = hm.data.cbcl_faces.load().float() / 255
    rbm = hm.RBM(hm.Gaussian(361, **variance), hm.NoisyReLU(100))
    hm.fit(rbm, faces, epochs=20, optimizer=partial(hm.MomentumSGD, lr=3e-3, momentum=0.9), progress=False)
    chains = rbm.gibbs(faces[:50], steps=500, generator=torch.Generator().manual_seed(0))
    assert chains.abs().max() < 10


def test_growth_on_either_side_is_found() -> None:
    """Four units that grow by 0.8 together hide one of the other sign that grows by 1.2."""
    rbm = hm.RBM(hm.Gaussian(1), hm.NoisyReLU(5))
    with torch.no_grad():
        rbm.coupling.get_parameter("weight").copy_(torch.tensor([[0.4, 0.4, 0.4, 0.4, -1.2]]))
    keep = KeepNormalisable(rbm)
    slots = keep.init(rbm, steps=0)
    keep.after(rbm, slots)
    assert rbm.coupling.get_parameter("weight").flatten().tolist() == pytest.approx([0.4, 0.4, 0.4, 0.4, -1], abs=1e-3)
