"""Ratio matching: its gradient is that of the objective as it is written, and the true machine is where it ends."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.learning.loop.state import TrainingState
from harmonium.learning.rules import ratio_matching
from harmonium.units import NOTHING
from tests import oracle
from tests.learning.signal import begun, contrastive_gradient
from tests.models.machines import close, machine, named, plain, samples

WEIGHTS = np.array([0.5, 2.0, 0.0, 1.0])
BITS_AND_SIGNS = hm.Groups(hm.Bernoulli(2), hm.Spin(2))


def objective(model: oracle.Machine, v: np.ndarray, weights: np.ndarray, present: np.ndarray | None = None) -> float:
    """Σ_n share_n Σ_i (p(v with unit i flipped) / (p(v) + p(v with unit i flipped)))², from the oracle's free energies."""
    low = np.concatenate([np.full(len(part.bias), -1.0 if part.kind == "spin" else 0.0) for part in model.visible])
    total = np.zeros(len(v))
    for i in range(v.shape[1]):
        flipped = v.copy()
        flipped[:, i] = low[i] + 1.0 - v[:, i]
        part = 1 / (1 + np.exp(oracle.free_energy(model, flipped) - oracle.free_energy(model, v)))
        total += part**2 if present is None else np.where(present[:, i], part**2, 0.0)
    return float(weights @ total / weights.sum())


def gradient(
    rbm: hm.RBM, v: object, weights: object = None, rule: hm.RatioMatching | None = None, given: hm.Given = NOTHING, seed: int = 0
) -> dict[str, torch.Tensor]:
    state = begun(rbm, hm.RatioMatching(), seed=seed)
    like = rbm.visible.zero_input()
    shares = None if weights is None else torch.as_tensor(weights).to(like)
    contrastive_gradient(rbm, torch.as_tensor(v).to(like), shares, rule or hm.RatioMatching(), state, given=given)
    return {name: parameter.grad.clone() for name, parameter in rbm.named_parameters() if parameter.grad is not None}


def check(rbm: hm.RBM, found: dict[str, torch.Tensor], expected: dict[tuple[str, int, str], np.ndarray], tolerance: float = 1e-6) -> None:
    names = {id(parameter): name for name, parameter in rbm.named_parameters()}
    for key, slope in expected.items():
        parameter = named(rbm, key)
        if parameter is not None:
            close(found[names[id(parameter)]], slope.reshape(parameter.shape), tolerance)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("visible", "hidden"),
    [
        ("bernoulli", "bernoulli"),
        ("bernoulli", "spin"),
        ("spin", "softmax"),
        ("bernoulli", "binomial"),
        ("bernoulli", "learnt_gaussian"),
        ("bernoulli", "learnt_truncated"),
        ("bernoulli", "poisson"),
        ("spin", "exponential"),
        ("bernoulli", "pooled"),
        ("bernoulli", "gaussian_bernoulli"),
        (BITS_AND_SIGNS, "bernoulli_softmax"),
    ],
)
def test_the_gradient_is_that_of_the_objective(visible: object, hidden: str, weighted: bool) -> None:
    rbm = machine(visible, hidden)
    v, weights = samples(rbm.visible, 4, 1), WEIGHTS if weighted else np.ones(4)
    expected = oracle.numerical_gradient(plain(rbm), lambda moved: objective(moved, v, weights))
    check(rbm, gradient(rbm, v, weights if weighted else None), expected)


@pytest.mark.parametrize("flips", [1, 3, 5])
def test_few_flips_are_right_on_average(flips: int) -> None:
    """Five hundred times, to four standard errors; with as many flips as units each time."""
    rbm = machine(hm.Bernoulli(5), "bernoulli")
    v, rule = samples(rbm.visible, 4, 1), hm.RatioMatching(flips=flips)
    whole, found = gradient(rbm, v, WEIGHTS), [gradient(rbm, v, WEIGHTS, rule, seed=seed) for seed in range(500)]
    for name, value in whole.items():
        draws = torch.stack([each[name] for each in found])
        error = (draws.mean(0) - value).abs() / (draws.std(0) / len(found) ** 0.5).clamp_min(1e-14)
        assert error.max() < 4, name


def test_few_flips_are_of_each_unit_alike() -> None:
    """Five cases of which two of five units are flipped: each unit twice, so that the visible biases see each twice."""
    rbm = machine(hm.Bernoulli(5), "bernoulli")
    rbm.coupling.weight.data.zero_()
    rbm.visible.bias.data.zero_()
    found = gradient(rbm, np.ones((5, 5)), None, hm.RatioMatching(flips=2))["visible.bias"]
    close(found, gradient(rbm, np.ones((5, 5)))["visible.bias"], 1e-12)
    assert (found < 0).all()


@pytest.mark.parametrize("flips", [None, 2])
def test_a_block_at_a_time_it_is_the_same(flips: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    rbm = machine(BITS_AND_SIGNS, "softmax")
    v, rule = samples(rbm.visible, 7, 1), hm.RatioMatching(flips=flips)
    whole = gradient(rbm, v, None, rule)
    for block in (1, 40):
        monkeypatch.setattr(ratio_matching, "BLOCK", block)
        for name, value in gradient(rbm, v, None, rule).items():
            close(value, whole[name], 1e-12)
    for name, value in gradient(rbm.float(), v, None, rule).items():
        assert value.dtype == torch.float32
        close(value, whole[name], 1e-5)


def test_other_couplings_and_shapes() -> None:
    """A convolution and a product of two factors, beside the dense machine of the same matrix."""
    shaped = hm.RBM(hm.Bernoulli((1, 3, 4)), hm.Bernoulli((2, 2, 3)), hm.Convolutional((1, 3, 4), 2, kernel=(2, 2), scale=0.8)).double()
    low = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), hm.LowRank(6, 4, rank=2, scale=0.8)).double()
    for rbm, leading in ((shaped, (5, 1, 3, 4)), (low, (5, 6))):
        size, hidden = int(np.prod(leading[1:])), int(np.prod(rbm.hidden.shape))
        dense = hm.RBM(hm.Bernoulli(size), hm.Bernoulli(hidden)).double()
        dense.coupling.weight.data = rbm.coupling.matrix()
        v = torch.tensor(samples(hm.Bernoulli(size), 5, 2))
        found, slope = gradient(rbm, v.reshape(leading)), gradient(dense, v)["coupling.weight"]
        close(found["hidden.bias"].flatten(), gradient(dense, v)["hidden.bias"], 1e-12)
        for parameter in rbm.parameters():  # through W, by the chain rule
            parameter.grad = None
        units = torch.eye(size, dtype=torch.float64).reshape(size, *leading[1:])
        rbm.coupling.to_hidden(units).reshape(size, -1).backward(slope)
        for name, parameter in rbm.coupling.named_parameters():
            close(found[f"coupling.{name}"], parameter.grad, 1e-12)


def test_absent_units_are_not_flipped() -> None:
    rbm = machine("bernoulli", "spin")
    v, present = samples(rbm.visible, 4, 1), np.array([[1, 1, 0], [0, 1, 1], [1, 1, 0], [1, 1, 1]], dtype=bool)
    expected = oracle.numerical_gradient(plain(rbm), lambda moved: objective(moved, np.where(present, v, 0.0), WEIGHTS, present))
    check(rbm, gradient(rbm, np.where(present, v, np.nan), WEIGHTS, given=hm.Given(present=torch.tensor(present))), expected)


@pytest.mark.parametrize(("visible", "hidden"), [("bernoulli", "bernoulli"), ("spin", "gaussian"), (BITS_AND_SIGNS, "softmax")])
def test_the_true_machine_is_stationary_and_another_is_not(visible: object, hidden: str) -> None:
    """The data are the whole distribution of a machine of the family."""
    rbm = machine(visible, hidden)
    v, p = oracle.visible_distribution(plain(rbm))
    assert all(value.abs().max() < 1e-12 for value in gradient(rbm, v, p).values())
    rbm.coupling.weight.data += 0.3
    assert any(value.abs().max() > 1e-4 for value in gradient(rbm, v, p).values())


def test_fit_finds_the_distribution() -> None:
    """From afar, the data the whole distribution: the fitted machine has the same one."""
    true = plain(machine("bernoulli", "bernoulli"))
    v, p = oracle.visible_distribution(true)
    rbm = hm.RBM(hm.Bernoulli(3), hm.Bernoulli(4), hm.Dense(3, 4, scale=0.5)).double()
    batch = (torch.tensor(v), torch.tensor(p))
    adam = partial(torch.optim.Adam, lr=0.05)
    hm.fit(rbm, [batch] * 100, negative=hm.RatioMatching(), epochs=8, optimizer=adam, progress=False)
    close(oracle.visible_distribution(plain(rbm))[1], p, 1e-3)


def test_rows_without_any_weight_teach_nothing_and_frozen_parameters_are_left_alone() -> None:
    rbm = machine("bernoulli", "softmax")
    v = samples(rbm.visible, 4, 1)
    assert not any(value.any() for value in gradient(rbm, v, np.zeros(4)).values())
    rbm = machine("bernoulli", "softmax")
    rbm.hidden.bias.requires_grad_(False)
    assert set(gradient(rbm, v)) == {"coupling.weight", "visible.bias"}


class Stop(hm.Callback):
    """Ends training in the middle of an epoch, as a kill would."""

    def on_step(self, state: TrainingState) -> None:
        if state.step == 10:
            raise KeyboardInterrupt


@pytest.mark.parametrize("flips", [None, 3])
def test_resuming_gives_the_same_bits(flips: int | None, tmp_path: Path) -> None:
    def learn(**settings: object) -> TrainingState:
        rbm, v = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), seed=1), torch.tensor(samples(hm.Bernoulli(6), 50, 3)).float()
        rule = hm.RatioMatching(flips=flips)
        return hm.fit(rbm, v, negative=rule, epochs=4, batch_size=12, seed=4, gradient="centred", progress=False, **settings)

    whole, path = learn(), tmp_path / "state.safetensors"
    with pytest.raises(KeyboardInterrupt):
        learn(checkpoint=path, callbacks=[Stop()])
    resumed = learn(checkpoint=path)
    assert resumed.step == whole.step == 20
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], tensor), name


@pytest.mark.parametrize(
    ("visible", "hidden", "settings", "message"),
    [
        (hm.Softmax(2, categories=2), hm.Bernoulli(2), {}, "Bernoulli or Spin, found Softmax"),
        (hm.Groups(hm.Bernoulli(2), hm.Gaussian(2)), hm.Bernoulli(2), {}, "Bernoulli or Spin, found Gaussian"),
        (hm.Bernoulli(4, values="probabilities"), hm.Bernoulli(2), {}, 'values="probabilities" are none'),
        (hm.Bernoulli(4), hm.Bernoulli(2), {"negative": hm.RatioMatching(flips=5)}, "cannot flip flips=5 of 4"),
        (hm.Bernoulli(4), hm.Bernoulli(2), {"given": hm.Given(missing=torch.zeros(10, 4))}, "missing values would have to be drawn"),
        (hm.Bernoulli(4), hm.Bernoulli(2), {"gradient": "enhanced"}, 'means of the model, which RatioMatching does not compute.*"centred"'),
    ],
)
def test_what_it_cannot_learn_is_refused(visible: hm.Unit, hidden: hm.Unit, settings: dict[str, object], message: str) -> None:
    kind = hm.Bernoulli(4) if isinstance(visible, hm.Groups) else visible
    v = torch.tensor(samples(kind, 10, 0)).float()
    with pytest.raises(ValueError, match=message):
        hm.fit(hm.RBM(visible, hidden), v, **({"negative": hm.RatioMatching(), "progress": False} | settings))


def test_units_without_energy_contexts_and_no_flips_are_refused() -> None:
    v = torch.tensor(samples(hm.Bernoulli(4), 10, 0)).float()
    with pytest.raises(TypeError, match="a ratio of probabilities does not exist"):
        hm.fit(hm.RBM(hm.Bernoulli(4), hm.NoisyReLU(2)), v, negative=hm.RatioMatching(), progress=False)
    rbm = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(2), hm.Conditional(hm.Dense(4, 2), 3))
    with pytest.raises(ValueError, match="takes no contexts"):
        hm.fit(rbm, v, negative=hm.RatioMatching(), given=hm.Given(context=torch.ones(10, 3)), progress=False)
    with pytest.raises(ValueError, match="at least one unit of each case, found flips=0"):
        hm.RatioMatching(flips=0)
