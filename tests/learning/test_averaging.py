"""Averaged parameters: a running mean of those that learn, kept beside them."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from scipy import special

import harmonium as hm
from harmonium.learning.loop.state import TrainingState
from tests import oracle
from tests.models.machines import close, machine, plain, samples

STEADY = partial(hm.MomentumSGD, lr=0.01, momentum=0.9)
ROWS = torch.tensor(samples(hm.Bernoulli(6), 40, 1))


class Recorded(hm.Callback):
    """The parameters after every step."""

    def __init__(self) -> None:
        self.steps: list[dict[str, np.ndarray]] = []

    def on_step(self, state: TrainingState) -> None:
        self.steps.append({name: p.detach().numpy().copy() for name, p in state.model.named_parameters()})


def learn(rbm: hm.RBM, **settings: object) -> TrainingState:
    return hm.fit(
        rbm, ROWS.to(rbm.visible.bias), **{"batch_size": 7, "epochs": 3, "seed": 4, "optimizer": STEADY, "progress": False, **settings}
    )


@pytest.mark.parametrize("gradient", ["plain", "centred"])
@pytest.mark.parametrize("share", [1, 0.5, 0.3, 0.01])
def test_step_i_weighs_in_proportion_to_a_power_of_i(share: float, gradient: str) -> None:
    """Γ(i - 1 + 1/share) / Γ(i), about i^(1/share - 1); a share of 1 is the plain mean."""
    rbm, recorded = machine(hm.Bernoulli(6), hm.Bernoulli(4)), Recorded()
    found = learn(rbm, averaging=share, gradient=gradient, callbacks=[recorded]).averaged()
    steps = np.arange(1, 19)
    weights = special.softmax(special.gammaln(steps - 1 + 1 / share) - special.gammaln(steps))
    assert len(recorded.steps) == 18
    for name, parameter in found.named_parameters():
        seen = np.stack([step[name] for step in recorded.steps])
        close(parameter, np.tensordot(weights, seen, axes=1), 1e-12)
        assert share == 0.01 or np.abs(seen[-1] - parameter.detach().numpy()).max() > 1e-4
        assert share < 1 or np.allclose(parameter.detach().numpy(), seen.mean(0), atol=1e-12)


def test_the_learning_model_is_left_alone() -> None:
    rbm, other = (hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4)) for _ in range(2))
    learn(other)
    state = learn(rbm, averaging=0.5)
    found = state.averaged()
    assert all(parameter.grad is None for parameter in found.parameters())
    for parameter in found.parameters():
        parameter.data.zero_()
    for name, tensor in other.state_dict().items():
        assert torch.equal(rbm.state_dict()[name], tensor), name
    assert state.averaged().coupling.weight.abs().max() > 0  # type: ignore[union-attr,operator]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_it_is_the_better_model_where_few_chains_make_the_other_wander(seed: int) -> None:
    rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4)).double()
    sgd = partial(torch.optim.SGD, lr=0.3)
    state = learn(rbm, negative=hm.PersistentCD(chains=5), batch_size=4, epochs=40, optimizer=sgd, averaging=0.5, seed=seed)
    found, averaged = (oracle.log_likelihood(plain(model), ROWS.numpy()).mean() for model in (rbm, state.averaged()))
    assert averaged > found + 0.005


@pytest.mark.parametrize("before", [None, 0.5])
def test_a_state_trains_on_with_its_average(before: float | None) -> None:
    """What was not averaged before is from there on."""
    rbm, whole = (hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4)) for _ in range(2))
    state = learn(rbm, averaging=before, epochs=1)
    start = {name: parameter.detach().clone() for name, parameter in rbm.named_parameters()}
    recorded = Recorded()
    learn(rbm, averaging=0.5, state=state, epochs=2, callbacks=[recorded])
    if before is not None:
        expected = learn(whole, averaging=0.5, epochs=2).average
    else:
        expected = start
        for step, values in enumerate(recorded.steps, 7):
            expected = {name: mean + (torch.tensor(values[name]) - mean) / (0.5 * step + 0.5) for name, mean in expected.items()}
    for name, mean in expected.items():
        close(state.average[name], mean, 1e-6)


def test_without_averaging_there_is_nothing_to_have() -> None:
    with pytest.raises(ValueError, match="averages no parameters: give fit averaging="):
        learn(hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))).averaged()


@pytest.mark.parametrize("share", [-0.5, 0, 1.5, 300, math.nan])
def test_no_share_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=f"above 0 and at most 1, found {share}"):
        learn(hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4)), averaging=share)
