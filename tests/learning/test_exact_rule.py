"""Exact maximum likelihood as a learning rule: its gradient is the log-likelihood's, and it learns without a draw."""

import math
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.learning.loop.state import TrainingState
from harmonium.learning.rules import exact_gradient as exact
from harmonium.units import NOTHING
from tests import oracle
from tests.learning.signal import begun, contrastive_gradient
from tests.learning.test_exact_gradient import bars_and_stripes
from tests.models.machines import close, machine, named, plain, samples

WEIGHTS = np.array([0.5, 2.0, 0.0, 1.0])
PAIRS = [
    ("bernoulli", "bernoulli"),
    ("bernoulli", "spin"),
    ("spin", "softmax"),
    ("softmax", "binomial"),
    ("binomial", "pooled"),
    ("stepped", "bernoulli"),
    ("learnt_gaussian", "bernoulli"),
    ("bernoulli", "learnt_gaussian"),
    ("bernoulli", "learnt_truncated"),
    ("poisson", "spin"),
    ("exponential", "binomial"),
    ("bernoulli_softmax", "gaussian_bernoulli"),
    ("spin_binomial_pooled", "bernoulli"),
]


def gradient(rbm: hm.RBM, v: np.ndarray, weights: np.ndarray | None = None, given: hm.Given = NOTHING) -> dict[str, torch.Tensor]:
    state = begun(rbm, hm.ExactGradient())
    shares = None if weights is None else torch.tensor(weights).to(rbm.visible.zero_input())
    contrastive_gradient(rbm, torch.as_tensor(v).to(rbm.visible.zero_input()), shares, hm.ExactGradient(), state, given=given)
    return {name: parameter.grad.clone() for name, parameter in rbm.named_parameters() if parameter.grad is not None}


def check(rbm: hm.RBM, found: dict[str, torch.Tensor], expected: dict[tuple[str, int, str], np.ndarray]) -> None:
    names = {id(parameter): name for name, parameter in rbm.named_parameters()}
    for key, slope in expected.items():
        parameter = named(rbm, key)
        if parameter is not None:
            close(found[names[id(parameter)]], slope.reshape(parameter.shape))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_it_is_the_oracles_slope_of_the_log_likelihood(visible: str, hidden: str, weighted: bool) -> None:
    rbm = machine(visible, hidden)
    v, share = samples(rbm.visible, 4, 1), WEIGHTS / WEIGHTS.sum() if weighted else np.full(4, 0.25)
    expected = {key: -slope for key, slope in oracle.log_likelihood_gradient(plain(rbm), v, share).items()}
    check(rbm, gradient(rbm, v, WEIGHTS if weighted else None), expected)


@pytest.mark.parametrize("shape", [(4, 6), (6, 4)])
def test_it_is_autograd_of_the_log_likelihood_listed_on_the_other_side(shape: tuple[int, int]) -> None:
    visible, hidden = shape
    rbm = machine(hm.Bernoulli(visible), hm.Bernoulli(hidden))
    v = torch.tensor(samples(rbm.visible, 5, 1))
    other = [rbm.visible, rbm.hidden][visible < hidden]
    free_energy = rbm.free_energy if other is rbm.visible else rbm.hidden_free_energy
    log_z = torch.logsumexp(-free_energy(other.states(torch.arange(other.count))), dim=0)
    slopes = torch.autograd.grad(rbm.free_energy(v).mean() + log_z, list(rbm.parameters()))
    found = gradient(rbm, v)
    for (name, _), slope in zip(rbm.named_parameters(), slopes, strict=True):
        close(found[name], slope, 1e-12)


@pytest.mark.parametrize("kinds", [("bernoulli", "softmax"), ("gaussian", "spin")])
def test_blocks_and_float32(kinds: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    rbm = machine(*kinds)
    v = samples(rbm.visible, 4, 1)
    whole = gradient(rbm, v)
    monkeypatch.setattr(exact, "BLOCK", 9)
    for name, value in gradient(rbm, v).items():
        close(value, whole[name], 1e-12)
    for name, value in gradient(rbm.float(), v).items():
        assert value.dtype == torch.float32
        close(value, whole[name], 1e-5)


def test_rows_without_any_weight_teach_nothing_and_frozen_parameters_are_left_alone() -> None:
    rbm = machine("bernoulli", "softmax")
    v = samples(rbm.visible, 4, 1)
    assert not any(value.any() for value in gradient(rbm, v, np.zeros(4)).values())
    rbm = machine("bernoulli", "softmax")
    rbm.visible.bias.requires_grad_(False)
    assert set(gradient(rbm, v)) == {"coupling.weight", "hidden.bias"}


@pytest.mark.parametrize("weighted", [False, True])
def test_absent_units_and_lengths_have_a_partition_function_each(weighted: bool) -> None:
    share = WEIGHTS / WEIGHTS.sum() if weighted else np.full(4, 0.25)
    rbm = machine("bernoulli", "spin")
    v, present = samples(rbm.visible, 4, 1), np.array([[1, 1, 0], [0, 1, 1], [1, 1, 0], [1, 1, 1]], dtype=bool)

    def absent(moved: oracle.Machine) -> float:
        each = [oracle.log_likelihood(oracle.without(moved, mask), row[None, mask])[0] for row, mask in zip(v, present, strict=True)]
        return float(-share @ np.array(each))

    found = gradient(rbm, np.where(present, v, np.nan), WEIGHTS if weighted else None, hm.Given(present=torch.tensor(present)))
    check(rbm, found, oracle.numerical_gradient(plain(rbm), absent))

    rbm = machine("replicated", "bernoulli")
    counts = np.array([[1.0, 2, 0], [1, 0, 0], [0, 0, 3], [2, 1, 1]])

    def lengths(moved: oracle.Machine) -> float:
        each = []
        for row in counts:
            length = int(row.sum())
            sized = replace(moved, visible=tuple(replace(part, length=length) for part in moved.visible))
            each.append(oracle.log_likelihood(sized, row[None])[0])
        return float(-share @ np.array(each))

    check(rbm, gradient(rbm, counts, WEIGHTS if weighted else None), oracle.numerical_gradient(plain(rbm), lengths))


def test_contexts_have_a_partition_function_each() -> None:
    rbm = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3), hm.Conditional(hm.Dense(4, 3, scale=0.7), 2)).double()
    draw = torch.Generator().manual_seed(2)
    for parameter in rbm.parameters():
        parameter.data.normal_(generator=draw)
    v, context = torch.tensor(samples(rbm.visible, 5, 1)), torch.randn(5, 2, generator=draw, dtype=torch.float64)[[0, 1, 0, 2, 1]]
    states = rbm.visible.states(torch.arange(16))
    loss = 0.0
    for n in range(5):
        case = hm.Given(context=context[n])
        loss = loss + (rbm.free_energy(v[n], case) + torch.logsumexp(-rbm.free_energy(states, case), dim=0)) / 5
    slopes = torch.autograd.grad(loss, list(rbm.parameters()))
    found = gradient(rbm, v, given=hm.Given(context=context))
    for (name, _), slope in zip(rbm.named_parameters(), slopes, strict=True):
        close(found[name], slope, 1e-12)


def test_fit_learns_bars_and_stripes_to_the_entropy_of_the_data() -> None:
    rbm = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(8), hm.Dense(4, 8, scale=0.5)).double()
    adam = partial(torch.optim.Adam, lr=0.1)
    hm.fit(rbm, [bars_and_stripes()] * 100, negative=hm.ExactGradient(), epochs=9, optimizer=adam, progress=False)
    optimum = -(math.log(4) + math.log(8)) / 2
    assert optimum - 0.01 < oracle.log_likelihood(plain(rbm), bars_and_stripes().numpy()).mean() <= optimum + 1e-9


class Stop(hm.Callback):
    """Ends training in the middle of an epoch, as a kill would."""

    def on_step(self, state: TrainingState) -> None:
        if state.step == 10:
            raise KeyboardInterrupt


def test_resuming_gives_the_same_bits_and_the_generator_draws_nothing(tmp_path: Path) -> None:
    def learn(**settings: object) -> TrainingState:
        rbm, rows = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), seed=1), torch.tensor(samples(hm.Bernoulli(6), 50, 3)).float()
        weights = torch.linspace(0, 2, 50)
        return hm.fit(rbm, rows, negative=hm.ExactGradient(), batch_size=12, sample_weight=weights, seed=4, progress=False, **settings)

    whole, path = learn(epochs=4), tmp_path / "state.safetensors"
    with pytest.raises(KeyboardInterrupt):
        learn(epochs=4, checkpoint=path, callbacks=[Stop()])
    resumed = learn(epochs=4, checkpoint=path)
    assert resumed.step == whole.step == 20
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], tensor), name
    assert torch.equal(whole.generator.get_state(), learn(epochs=1).generator.get_state())


def test_centred_it_is_indifferent_to_flipped_bits() -> None:
    """Three exact steps on the data and on the data with two bits flipped end in the same distribution."""
    v, flip = torch.tensor(samples(hm.Bernoulli(5), 30, 3)), torch.tensor([1.0, 0, 0, 1, 0], dtype=torch.float64)
    likelihoods = []
    for rows in (v, (v - flip).abs()):
        rbm = hm.RBM(hm.Bernoulli(5), hm.Bernoulli(3), hm.Dense(5, 3, scale=0.5)).double()
        if rows is not v:  # the same machine in the flipped bits
            weight = rbm.coupling.weight.data
            rbm.hidden.bias.data += flip @ weight
            weight *= (1 - 2 * flip)[:, None]
        sgd = partial(torch.optim.SGD, lr=0.5)
        settings = {"optimizer": sgd, "batch_size": 30, "gradient": "enhanced", "progress": False}
        rbm.visible.init_from(rows)
        hm.fit(rbm, rows, negative=hm.ExactGradient(), epochs=3, **settings)
        likelihoods.append(oracle.log_likelihood(plain(rbm), rows.numpy()))
    close(likelihoods[1], likelihoods[0], 1e-10)


@pytest.mark.parametrize(
    ("rbm", "message"),
    [
        (lambda: hm.RBM(hm.Bernoulli(30), hm.Bernoulli(21)), r"at most 2\^20 of them, and this machine has 2\^21"),
        (lambda: hm.RBM(hm.Bernoulli(30), hm.Bernoulli(40)), r"cannot be computed: .*2\^30"),
        (lambda: hm.RBM(hm.Gaussian(3), hm.Gaussian(3)), "unbounded units on both sides: Gaussian and Gaussian"),
    ],
)
def test_machines_too_large_to_list_are_refused(rbm: object, message: str) -> None:
    model = rbm()  # type: ignore[operator]
    rows = torch.tensor(samples(model.visible, 10, 0)).float()
    with pytest.raises(ValueError, match=message):
        hm.fit(model, rows, negative=hm.ExactGradient(), progress=False)


def test_what_has_no_exact_gradient_is_refused() -> None:
    rows = torch.tensor(samples(hm.Bernoulli(4), 10, 0)).float()
    with pytest.raises(TypeError, match="NoisyReLU"):
        hm.fit(hm.RBM(hm.Bernoulli(4), hm.NoisyReLU(2)), rows, negative=hm.ExactGradient(), progress=False)
    missing = hm.Given(missing=torch.zeros(10, 4, dtype=torch.bool))
    with pytest.raises(ValueError, match="missing values would have to be drawn"):
        hm.fit(hm.RBM(hm.Bernoulli(4), hm.Bernoulli(2)), rows, negative=hm.ExactGradient(), given=missing, progress=False)
