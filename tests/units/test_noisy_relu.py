"""Noisy rectified linear units against quadrature and the figures of the slides, and the refusal of all that needs an energy."""

import itertools

import numpy as np
import pytest
import torch
from scipy import integrate, stats

import harmonium as hm
from harmonium.units import Given
from tests.models.machines import close

PLACES = [-1e4, -30.0, -6.0, -2.0, -0.3, 0.0, 0.7, 1.9, 2.0, 3.5, 15.0, 1e4]
KINDS = [(noise, cap) for noise in ("sigmoid", "unit", "none") for cap in (None, 2.0)]


def spread(noise, t):
    return {"sigmoid": (1 / (1 + np.exp(-np.clip(t, -700, 700)))) ** 0.5, "unit": 1.0, "none": 0.0}[noise]


def moments(noise, cap, t):
    """By quadrature over the noise, piece by piece between the two kinks."""
    s, top = spread(noise, t), np.inf if cap is None else cap
    if s == 0 or abs(t) > 1e3:
        level = min(max(t, 0.0), top)
        return level, s**2 if cap is None and t > 0 else 0.0
    cuts = np.unique(np.clip([-12, -t / s, (top - t) / s, 12], -12, 12))
    powers = []
    for k in (1, 2):
        pieces = [
            integrate.quad(lambda e, k=k: min(max(t + s * e, 0), top) ** k * stats.norm.pdf(e), a, b, epsabs=1e-13)[0]
            for a, b in itertools.pairwise(cuts)
        ]
        powers.append(sum(pieces))
    return powers[0], max(powers[1] - powers[0] ** 2, 0.0)


@pytest.mark.parametrize(("noise", "cap"), KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_mean_and_variance(noise, cap, dtype):
    unit = hm.NoisyReLU(len(PLACES), noise=noise, cap=cap).to(dtype)
    unit.bias.data.fill_(0.25)
    input = torch.tensor(PLACES, dtype=dtype)
    expected = np.array([moments(noise, cap, float(t)) for t in input.double() + 0.25])
    close(unit.mean(input), expected[:, 0], 2e-6)
    close(unit.variance(input), expected[:, 1], 2e-6)
    close(unit.mode(input), np.clip(np.array(PLACES) + 0.25, 0, cap), 1e-6)
    assert unit.mean(input).dtype == dtype


@pytest.mark.parametrize(("noise", "cap"), KINDS)
def test_samples_have_the_moments(noise, cap):
    unit = hm.NoisyReLU(6, noise=noise, cap=cap)
    unit.bias.data.fill_(0.25)
    input = torch.tensor([-3.0, -0.3, 0.0, 1.9, 3.5, 15.0])
    x = unit.sample(input.expand(40000, -1), generator=torch.Generator().manual_seed(1)).double().numpy()
    unit.check(torch.tensor(x))
    for place, t in enumerate(input.tolist()):
        mean, variance = moments(noise, cap, t + 0.25)
        assert abs(x[:, place].mean() - mean) <= 4 * np.sqrt(variance / len(x)) + 1e-6
        fourth = ((x[:, place] - mean) ** 4).mean()
        assert abs(x[:, place].var() - variance) <= 4 * np.sqrt(fourth / len(x)) + 1e-6


def test_the_mean_at_zero_is_no_softplus():
    """0.282 against log 2 = 0.693 of the stepped sigmoid units that it stands in for; far from zero they meet."""
    unit = hm.NoisyReLU(1).double()
    at = lambda t: unit.mean(torch.tensor([t], dtype=torch.float64)).item()  # noqa: E731
    assert at(0.0) == pytest.approx(np.sqrt(0.5 / (2 * np.pi)), abs=1e-12)
    assert at(0.0) == pytest.approx(0.282, abs=5e-4)
    assert abs(at(0.0) - np.log(2)) > 0.4
    for t in (-8.0, 8.0):
        assert abs(at(t) - np.log1p(np.exp(t))) < 1e-3


def rectify(unit, x, weight):
    """What a layer without noise of its own makes of the data: (cases, hidden)."""
    return unit.mode(x @ weight).detach()


def test_scaling_the_data_scales_the_layer():
    """R(a x) = a R(x) for a > 0 with neither bias, noise nor cap; each of them breaks it, and so does a < 0."""
    draw = torch.Generator().manual_seed(0)
    x, weight = torch.randn(50, 8, generator=draw).double(), torch.randn(8, 6, generator=draw).double()
    clean = hm.NoisyReLU(6, noise="none").double()
    for a in (0.01, 3.0, 100.0):
        close(rectify(clean, a * x, weight), (a * rectify(clean, x, weight)).numpy(), 1e-12)
        sample = clean.sample(a * x @ weight, generator=draw)
        close(sample, (a * rectify(clean, x, weight)).numpy(), 1e-12)
    biased = hm.NoisyReLU(6, noise="none").double()
    biased.bias.data.fill_(0.5)
    capped, noisy = hm.NoisyReLU(6, noise="none", cap=2.0).double(), hm.NoisyReLU(6).double()
    for broken, a, function in (
        (biased, 3.0, "mode"),
        (capped, 3.0, "mode"),
        (noisy, 3.0, "mean"),
        (clean, -1.0, "mode"),
    ):
        of = getattr(broken, function)
        assert (of(a * x @ weight) - a * of(x @ weight)).abs().max() > 0.1


REFUSED = {
    "energy": lambda rbm, v, h: rbm.energy(v, h),
    "free_energy": lambda rbm, v, h: rbm.free_energy(v),
    "hidden_free_energy": lambda rbm, v, h: rbm.hidden_free_energy(h),
    "check_normalisable": lambda rbm, v, h: rbm.check_normalisable(),
    "exact_log_z": lambda rbm, v, h: hm.likelihood.exact_log_z(rbm),
    "ais": lambda rbm, v, h: hm.likelihood.ais(rbm, chains=10, betas=10),
    "log_likelihood": lambda rbm, v, h: hm.likelihood.log_likelihood(rbm, v, log_z=0.0),
    "free_energy_gap": lambda rbm, v, h: hm.likelihood.free_energy_gap(rbm, v, v),
}


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.parametrize("side", ["hidden", "visible", "part"])
def test_what_needs_an_energy_refuses(what, side):
    made = {
        "hidden": lambda: (hm.Bernoulli(3), hm.NoisyReLU(2)),
        "visible": lambda: (hm.NoisyReLU(3), hm.Bernoulli(2)),
        "part": lambda: (hm.Bernoulli(3), hm.Groups(hm.Bernoulli(1), hm.NoisyReLU(1))),
    }
    rbm = hm.RBM(*made[side]())
    with pytest.raises(TypeError, match=r"NoisyReLU units have no joint energy.*TruncatedGaussian"):
        REFUSED[what](rbm, torch.ones(4, 3), torch.ones(4, 2))


@pytest.mark.filterwarnings("ignore:in .* updates the weights were pulled back:RuntimeWarning")
@pytest.mark.parametrize(("noise", "cap"), KINDS)
@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_learning_lowers_the_reconstruction_error_and_shows_no_figure_that_needs_an_energy(noise, cap):
    """Real patches are rank-two plus noise here: the hidden layer must learn the two directions."""
    draw = np.random.default_rng(0)
    data = (draw.normal(size=(300, 2)) @ draw.normal(size=(2, 8)) + 0.1 * draw.normal(size=(300, 8))).astype(np.float32)
    rbm = hm.RBM(hm.Gaussian(8), hm.NoisyReLU(12, noise=noise, cap=cap))
    settings = {
        "epochs": 20,
        "batch_size": 20,
        "progress": False,
        "optimizer": lambda groups: hm.MomentumSGD(groups, lr=2e-3, momentum=0.9),
    }
    state = hm.fit(rbm, data, validation=data[:50], **settings)
    errors = [row["reconstruction_error"] for row in state.history]
    assert errors[-1] < 0.6 * errors[0]
    assert not {"free_energy_gap", "pseudo_likelihood"} & set(state.history[-1])
    assert all(np.isfinite(value) for value in state.history[-1].values())
    assert all(torch.isfinite(parameter).all() for parameter in rbm.parameters())


def test_a_visible_layer_learns_too():
    data = np.abs(np.random.default_rng(0).normal(size=(200, 5))).astype(np.float32) * [0.1, 1, 2, 3, 0.5]
    rbm = hm.RBM(hm.NoisyReLU(5), hm.Bernoulli(4))
    hm.fit(rbm, data, epochs=3, progress=False)
    assert torch.isfinite(rbm.visible.bias).all()


def test_parameter_gradients_are_those_of_the_energy_of_a_bias():
    unit = hm.NoisyReLU((2, 3), bias_shape=(2, 1)).double()
    input = torch.tensor(np.random.default_rng(0).normal(size=(4, 2, 3)))
    weights = torch.tensor([0.5, 1.0, 0.0, 2.0], dtype=torch.float64)
    x = unit.mode(input)
    summed = (weights[:, None, None] * x).sum((0, 2))[:, None]
    close(unit.parameter_gradient(x, None, weights)["bias"], -summed.detach().numpy(), 1e-12)
    averaged = (weights[:, None, None] * unit.mean(input)).sum((0, 2))[:, None]
    close(unit.mean_parameter_gradient(input, weights)["bias"], -averaged.detach().numpy(), 1e-12)


@pytest.mark.parametrize(("noise", "cap"), KINDS)
def test_biases_start_at_the_mean_of_the_data(noise, cap):
    data = np.random.default_rng(0).random((2000, 3)) * [1.9, 1.0, 0.2]
    unit = hm.NoisyReLU(3, noise=noise, cap=cap).double()
    unit.init_from(torch.tensor(data))
    close(unit.mean(unit.zero_input()), data.mean(0), 2e-3)
    for value in (0.0, 2.0):
        unit.init_from(torch.full((10, 3), value))
        assert torch.isfinite(unit.bias).all()
    mean = torch.tensor([0.01, 0.5, 1.9], dtype=torch.float64)
    close(unit.mean(unit.base_input(mean)), mean.numpy(), 1e-6)


def test_absent_units_are_zero():
    unit, given = hm.NoisyReLU(2), Given(present=torch.tensor([True, False]))
    input = torch.tensor([[1.0, float("nan")]])
    for noise in ("sigmoid", "none"):
        unit.noise = noise
        found = [function(input, given) for function in (unit.mean, unit.variance, unit.mode)]
        found.append(unit.sample(input, generator=torch.Generator().manual_seed(0), given=given))
        assert all(value[0, 1] == 0 for value in found)
        assert unit.mean_parameter_gradient(input, None, given)["bias"][1] == 0


@pytest.mark.parametrize(
    ("cap", "states", "message"),
    [
        (None, [[-0.1, 1.0]], "zero or more, found values from -0.1"),
        (2.0, [[0.0, 2.5]], "cap of 2, found values from 0 to 2.5"),
        (None, [[0.0, np.nan]], "finite"),
        (None, [[0.0]], r"\(\.\.\., 2\)"),
    ],
)
def test_states_are_checked(cap, states, message):
    with pytest.raises(ValueError, match=message):
        hm.NoisyReLU(2, cap=cap).check(torch.tensor(states))


@pytest.mark.parametrize("settings", [{"noise": "loud"}, {"cap": 0.0}, {"cap": np.inf}])
def test_arguments_are_checked(settings):
    with pytest.raises(ValueError, match=r"noise must be|cap must be"):
        hm.NoisyReLU(2, **settings)


def test_saved_with_its_noise_and_cap(tmp_path):
    hm.save(hm.RBM(hm.Gaussian(2), hm.NoisyReLU(3, noise="unit", cap=2.0)), tmp_path / "model")
    assert hm.load(tmp_path / "model").hidden.arguments() == {"shape": (3,), "noise": "unit", "cap": 2.0, "bias_shape": (3,)}


def test_highest():
    weights = torch.tensor([[-1.0, 1.0], [-2.0, -1.0]])
    assert hm.NoisyReLU(2).max_interaction(weights).tolist() == [0.0, np.inf]
    assert hm.NoisyReLU(2, cap=3.0).max_interaction(weights).tolist() == [0.0, 3.0]
