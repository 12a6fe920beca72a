"""Learning the variances of Gaussian units: steps without a unit of measurement, and fifty epochs of real data at every scale."""

import copy
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.learning.transforms.standardising import StandardForm
from harmonium.units import NOTHING
from tests.models.machines import close

FACES, PATCHES = "cbcl-faces/facesCBCL.mat", "natural-images/hyvarinen/1.tiff"


def needs(file):
    folder = os.environ.get("HARMONIUM_DATA")
    return pytest.mark.skipif(not folder or not (Path(folder) / file).is_file(), reason=f"HARMONIUM_DATA is not set, or has no {file}")


# Steps without a unit of measurement --------------------------------------------------------------------------------------------


def blobs(cases=60, shape=(6,), seed=0):
    draw = np.random.default_rng(seed)
    size = int(np.prod(shape))
    sign = draw.integers(2, size=(cases, 1)) * 2 - 1
    return torch.tensor(sign * draw.normal(size=size) + draw.normal(size=(cases, size))).reshape(cases, *shape)


def dense(visible=None, hidden=None, coupling=None):
    return lambda: hm.RBM(visible() if visible else gaussian(), hidden() if hidden else hm.Bernoulli(4), coupling() if coupling else None)


gaussian = partial(hm.Gaussian, 6, learn_variance=True)
SCALES, PLACES = [1e-2, 0.1, 1, 3, 10, 100], [5, -3, 0, 1, 40, -2]
MACHINES = {
    "dense": (dense(), SCALES, PLACES),
    "shared variance": (dense(partial(gaussian, variance_shape=(1,))), 1e3, PLACES),
    "shared bias and variance": (dense(partial(gaussian, variance_shape=(1,), bias_shape=(1,))), 1e-3, 7),
    "softmax hidden": (dense(hidden=lambda: hm.Softmax(2, categories=2)), SCALES, PLACES),
    "gaussian hidden": (dense(hidden=lambda: hm.Gaussian(4, variance=2.0, learn_variance=True, variance_shape=(1,))), SCALES, PLACES),
    "both hidden": (dense(hidden=lambda: hm.Groups(hm.Bernoulli(2), hm.Gaussian(2, learn_variance=True))), SCALES, PLACES),
    "shared hidden bias": (dense(hidden=lambda: hm.Bernoulli(4, bias_shape=(1,))), SCALES, 0),
    "low rank": (dense(coupling=lambda: hm.LowRank(6, 4, rank=2, scale=0.3)), SCALES, PLACES),
    "context": (dense(coupling=lambda: hm.Conditional(hm.Dense(6, 4), 2)), SCALES, PLACES),
    "pixels and a label": (
        dense(lambda: hm.Groups(hm.Gaussian(4, learn_variance=True), hm.Bernoulli(2))),
        [0.1, 1, 10, 30, 1, 1],
        [5, -3, 0, 1, 0, 0],
    ),
}


@pytest.mark.parametrize("name", MACHINES)
def test_data_in_other_units_are_learnt_alike(name):
    """Each column times its own constant, plus another: the same hidden means after forty steps, and visible ones that follow the data."""
    make, scale, place = MACHINES[name]
    scale, place = torch.tensor(scale).double().expand(6), torch.tensor(place).double().expand(6)
    data = blobs()
    if "label" in name:
        data[:, 4:] = (data[:, 4:] > 0).double()
    given = hm.Given(context=blobs(shape=(2,), seed=1)) if name == "context" else NOTHING
    machines = []
    for rows in (data, data * scale + place * scale):
        rbm = make().double()
        hm.fit(rbm, rows, epochs=20, batch_size=30, given=given, optimizer=partial(hm.MomentumSGD, lr=0.02, momentum=0.9), progress=False)
        machines.append((rbm.hidden_mean(rows, given).detach(), rbm.visible_mean(rbm.hidden_mean(rows, given), given).detach()))
    (hidden, visible), (again, moved) = machines
    assert (hidden - hidden.mean(0)).abs().mean() > 0.003
    close(again, hidden, 1e-7)
    close((moved / scale) - place, visible, 1e-7)


@pytest.mark.parametrize("side", ["visible", "hidden"])
def test_rectified_units_have_a_scale_and_no_other_origin_than_zero(side):
    data, means = blobs().abs(), []
    for scale in (1.0, 0.01, 50.0):
        rectified = partial(hm.TruncatedGaussian, learn_variance=True)
        rbm = hm.RBM(rectified(6), hm.Bernoulli(4)) if side == "visible" else hm.RBM(gaussian(), rectified(4))
        rbm, rows = rbm.double(), data * scale + (7 * scale if side == "hidden" else 0)
        hm.fit(rbm, rows, epochs=20, batch_size=30, optimizer=partial(hm.MomentumSGD, lr=0.005, momentum=0.9), progress=False)
        means.append(rbm.hidden_mean(rows).detach())
    if side == "visible":
        assert (means[0] - means[0].mean(0)).abs().mean() > 1e-3
    close(means[1], means[0], 1e-6)
    close(means[2], means[0], 1e-6)


def test_kernels_of_a_convolution_are_measured_in_the_units_of_each_channel():
    data = blobs(shape=(2, 7))
    means = []
    for scale in (torch.ones(2, 1), torch.tensor([[0.01], [50.0]])):
        coupling = hm.Convolutional((2, 7), 3, kernel=3)
        rbm = hm.RBM(
            hm.Gaussian((2, 7), variance_shape=(2, 1), bias_shape=(2, 1), learn_variance=True),
            hm.Bernoulli(coupling.hidden, bias_shape=(3, 1)),
            coupling,
        ).double()
        rows = (data + torch.tensor([[3.0], [-2]])) * scale
        hm.fit(rbm, rows, epochs=20, batch_size=30, optimizer=partial(hm.MomentumSGD, lr=0.005, momentum=0.9), progress=False)
        means.append(rbm.hidden_mean(rows).detach())
    assert (means[0] - means[0].mean(0)).abs().mean() > 0.003
    close(means[1], means[0], 1e-7)


def test_absent_units_leave_the_unit_of_measurement_free():
    """Not the origin, for what a present unit tells the hidden ones is then no constant; but that is survived."""
    data, present = blobs(), torch.rand(60, 6, generator=torch.Generator().manual_seed(0)) < 0.7
    given, means = hm.Given(present=present), []
    for scale, place in ((1.0, 0.0), (0.1, 0.0), (50.0, 0.0), (10.0, 30.0)):
        rbm, rows = dense()().double(), data * scale + place
        hm.fit(rbm, torch.where(present, rows, torch.nan), epochs=20, batch_size=30, given=given, progress=False)
        seen = [column[mask] for column, mask in zip(rows.T, present.T, strict=True)]
        close(rbm.visible.log_variance, [x.var(correction=0).log().item() for x in seen], 0.2)
        means.append(rbm.hidden_mean(rows, given).detach())
    close(means[1], means[0], 1e-7)
    close(means[2], means[0], 1e-7)
    assert torch.isfinite(means[3]).all()


def test_the_exact_gradient_is_another_choice():
    """Which is not free of units; and `.grad` as contrastive_gradient leaves it stays exact (tests/learning/test_exact_gradient.py)."""
    data, means = blobs(), []
    for rows in (data, data * 10):
        rbm = dense()().double()
        hm.fit(rbm, rows, epochs=20, batch_size=30, standardise=False, optimizer=partial(torch.optim.SGD, lr=0.01), progress=False)
        means.append(rbm.hidden_mean(rows).detach())
    assert (means[1] - means[0]).abs().max() > 0.01


def test_a_step_by_hand():
    """ΔW = -lr σ² (G - (μ/σ²) g'), Δb = -lr σ² g_b, Δ log σ² = -lr 0.1 (g_l + (μ/σ²) W g) and Δc = -lr g - Δ(W' μ/σ²)."""
    draw, lr = np.random.default_rng(0), 0.01
    rbm = dense()().double()
    mu, variance, weight, c = draw.normal(size=6) * 3, draw.uniform(0.2, 4, 6), draw.normal(size=(6, 4)) * 0.3, draw.normal(size=4)
    g_w, g_b, g_l, g_c = draw.normal(size=(6, 4)), draw.normal(size=6), draw.uniform(-0.1, 0.1, 6), 0.02 * draw.normal(size=4)
    for parameter, value, gradient in (
        (rbm.visible.bias, mu, g_b),
        (rbm.visible.log_variance, np.log(variance), g_l),
        (rbm.coupling.weight, weight, g_w),
        (rbm.hidden.bias, c, g_c),
    ):
        parameter.data, parameter.grad = torch.tensor(value), torch.tensor(gradient)
    form = StandardForm(rbm)
    slots = form.init(rbm, 0)
    form.gradient(rbm, None, slots)
    torch.optim.SGD(rbm.parameters(), lr=lr).step()
    form.after(rbm, slots)
    new_weight = weight - lr * variance[:, None] * (g_w - np.outer(mu / variance, g_c))
    slope = g_l + mu / variance * (weight @ g_c)
    assert np.abs(slope).max() < 1
    new_variance = variance * np.exp(-lr * 0.1 * slope)
    close(rbm.coupling.weight, new_weight, 1e-9)
    close(rbm.visible.bias, mu - lr * variance * g_b, 1e-9)
    close(rbm.visible.log_variance, np.log(new_variance), 1e-9)
    close(rbm.hidden.bias, c - lr * g_c - (new_weight.T @ (mu / new_variance) - weight.T @ (mu / variance)), 1e-9)


def test_frozen_hidden_biases_stay_where_they_are():
    rbm = dense()()
    rbm.hidden.bias.requires_grad_(False)
    hm.fit(rbm, blobs().float() + 5, epochs=5, progress=False)
    assert not rbm.hidden.bias.any()
    assert rbm.coupling.weight.isfinite().all()


def test_other_kinds_take_the_same_steps_with_it_and_without():
    data = (blobs() > 0).float()
    found = []
    for standardise in (True, False):
        rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
        hm.fit(rbm, data, epochs=3, standardise=standardise, progress=False)
        found.append(rbm.state_dict())
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


@pytest.mark.parametrize("direction", [-1, 1])
def test_no_learning_rate_takes_a_variance_out_of_its_bounds(direction):
    """A factor of a thousand of the data's own: where an optimiser pulls it, and whichever optimiser that is."""

    class Pulled(torch.optim.SGD):
        def step(self, closure=None):
            rbm.visible.log_variance.data += direction * 5.0

    rbm, data = dense()(), blobs().float() * 10
    hm.fit(rbm, data, epochs=10, optimizer=lambda groups: Pulled(groups, lr=0.0), progress=False)
    close(rbm.visible.log_variance - data.var(0, correction=0).log(), direction * np.log(1000) * np.ones(6), 1e-4)


def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path):
    data = blobs().float() * 20 + 100
    whole, halves = dense()(), dense()()
    settings = {"batch_size": 20, "progress": False, "seed": 2, "optimizer": partial(hm.MomentumSGD, lr=1e-3, momentum=0.9)}
    hm.fit(whole, data, epochs=6, **settings)
    hm.fit(halves, data, epochs=3, checkpoint=tmp_path / "c", **settings)
    again = dense()()
    hm.fit(again, data, epochs=6, checkpoint=tmp_path / "c", **settings)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in whole.state_dict().items())
    with pytest.raises(ValueError, match="standardise"):
        hm.fit(dense()(), data, epochs=9, checkpoint=tmp_path / "c", standardise=False, **settings)


# Fifty epochs of real data with every setting as it comes -------------------------------------------------------------------------


def faces(training):
    """Raw grey levels between 0 and 1: training and validation faces, (cases, 361)."""
    images = hm.data.cbcl_faces.load()[torch.randperm(2429, generator=torch.Generator().manual_seed(0))].float() / 255
    return images[:training], images[2000:]


def patches(training, white=True):
    """Patches, whitened or not, of ten photographs to train on, and of three others to validate with: (cases, 64)."""
    images = hm.data.natural_images.load()
    seen = hm.data.without_mean(hm.data.patches(images[:10], 8, training, seed=0))
    unseen = hm.data.without_mean(hm.data.patches(images[10:], 8, 2000, seed=1))
    if not white:
        return seen, unseen
    found, whitening = hm.data.whiten(seen, regularisation=0.01)
    return found, whitening(unseen)


def scaled(data, scale):
    """Data times a number; or, "mixed", each pixel times its own between 0.1 and 10: a factor of 0.01 to 100 in their variance."""
    each = 10 ** (2 * torch.rand(data[0].shape[1], generator=torch.Generator().manual_seed(5)) - 1)
    factor = each if scale == "mixed" else torch.full_like(each, scale)
    return [rows * factor for rows in data], factor


def likelihood(rbm, data):
    """Exact, in float64: (cases,) nats."""
    rbm = copy.deepcopy(rbm).double()
    return hm.likelihood.log_likelihood(rbm, data.double(), log_z=hm.likelihood.exact_log_z(rbm))


def fifty_epochs(data, scale, visible, hidden):
    """Mean validation log-likelihood before and after, in nats of the data times one, and how many standard errors lie between."""
    (training, validation), factor = scaled(data, scale)
    rbm = hm.RBM(visible(training.shape[1]), hidden())
    hm.fit(rbm, training, epochs=0)
    before = likelihood(rbm, validation) + factor.double().log().sum()
    hm.fit(rbm, training, epochs=50, progress=False)
    assert all(bool(torch.isfinite(parameter).all()) for parameter in rbm.parameters())
    after = likelihood(rbm, validation) + factor.double().log().sum()
    gain = after - before
    return before.mean().item(), after.mean().item(), (gain.mean() / gain.std() * len(gain) ** 0.5).item()


VISIBLE = {"per unit": partial(hm.Gaussian, learn_variance=True), "shared": partial(hm.Gaussian, learn_variance=True, variance_shape=(1,))}
LEARNT = partial(hm.Gaussian, learn_variance=True)


@needs(FACES)
@pytest.mark.parametrize(("scale", "variance"), [(0.1, "per unit"), (10.0, "shared"), ("mixed", "per unit"), ("mixed", "shared")])
@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_a_few_faces_at_any_scale(scale, variance):
    """Six hundred of them."""
    before, after, errors = fifty_epochs(faces(600), scale, VISIBLE[variance], partial(hm.Bernoulli, 8))
    assert after > before + 10
    assert errors > 5


@needs(PATCHES)
@pytest.mark.parametrize(
    ("scale", "variance", "hidden"),
    [
        (0.1, "per unit", partial(hm.Bernoulli, 8)),
        ("mixed", "per unit", partial(hm.Bernoulli, 8)),
        pytest.param(10.0, "shared", partial(LEARNT, 8), marks=pytest.mark.filterwarnings("ignore:in .* were pulled back:RuntimeWarning")),
    ],
)
def test_a_few_patches_at_any_scale(scale, variance, hidden):
    """A thousand of them, grey levels less each one's mean: from whitened ones this few learn nothing that shows."""
    before, after, errors = fifty_epochs(patches(1000, white=False), scale, VISIBLE[variance], hidden)
    assert after > before + 5
    assert errors > 5


@pytest.mark.slow
@pytest.mark.parametrize("hidden", [partial(hm.Bernoulli, 16), partial(LEARNT, 16)])
@pytest.mark.parametrize("variance", VISIBLE)
@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0, "mixed"])
@pytest.mark.parametrize("data", [pytest.param(faces, marks=needs(FACES)), pytest.param(patches, marks=needs(PATCHES))])
@pytest.mark.filterwarnings(
    "ignore:in .* were pulled back:RuntimeWarning"
)  # faces take a Gaussian hidden layer to the edge of what can be normalised
def test_fifty_epochs_with_the_default_settings(data, scale, variance, hidden):
    """The whole proof, whose figures docs/gaussian-variances.md gives."""
    before, after, errors = fifty_epochs(data(2000 if data is faces else 20_000), scale, VISIBLE[variance], hidden)
    print(f"{data.__name__} | {scale} | {variance} | {hidden().__class__.__name__} | {before:.2f} | {after:.2f} | {errors:.1f}")
    assert after > before
    assert errors > 3
