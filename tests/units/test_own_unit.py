"""A kind of unit as a user would write it: four functions, and everything else follows. Our closed forms agree with the defaults."""

import inspect
import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

import harmonium as hm
from harmonium.units import NOTHING
from tests.models.machines import LAYERS, randomise, samples


class Ternary(hm.Unit):
    """States -1, 0 and 1: energy -b x + c x², both learnt."""

    def __init__(self, shape):
        super().__init__(shape)
        self.bias, self.cost = nn.Parameter(torch.zeros(self.shape)), nn.Parameter(torch.ones(self.shape))

    def logits(self, input):
        total = input + self.bias
        return torch.stack([-total - self.cost, torch.zeros_like(total), total - self.cost], -1)

    def energy_terms(self, states):
        return self.cost * states.square() - self.bias * states

    def log_partition(self, input, given=NOTHING):
        return self.total(self.logits(input).logsumexp(-1))

    def sample(self, input, *, generator, given=NOTHING, mean=None):
        below = self.logits(input).softmax(-1).cumsum(-1)
        u = torch.rand(input.shape, generator=generator, dtype=input.dtype)
        return (u > below[..., 0]).to(input) + (u > below[..., 1]).to(input) - 1

    def check(self, states):
        if not bool(((states == 0) | (states.abs() == 1)).all()):
            raise ValueError("Ternary units expect -1, 0 or 1")


def machine():
    rbm = hm.RBM(Ternary(3), Ternary(2), hm.Dense(3, 2, scale=0.5, seed=1)).double()
    for number, parameter in enumerate((*rbm.visible.parameters(), *rbm.hidden.parameters())):
        parameter.data = torch.tensor(np.random.default_rng(number).normal(size=parameter.shape))
    return rbm


def table(rbm):
    """Every joint state with its probability, by the energy as it is written in the docstring; and log Z."""
    b, d, w = rbm.visible, rbm.hidden, rbm.coupling.weight.detach().numpy()
    states = np.array(list(itertools.product((-1.0, 0.0, 1.0), repeat=5)))
    v, h = states[:, :3], states[:, 3:]
    own = lambda unit, x: x @ unit.bias.detach().numpy() - x**2 @ unit.cost.detach().numpy()  # noqa: E731
    logs = own(b, v) + own(d, h) + ((v @ w) * h).sum(1)
    log_z = np.log(np.exp(logs).sum())
    return v, h, np.exp(logs - log_z), log_z


def test_it_is_short():
    assert len([line for line in inspect.getsource(Ternary).splitlines() if line.strip()]) <= 30


def test_conditionals_against_enumeration():
    rbm = machine()
    v, h, p, _ = table(rbm)
    here = (v == [1, 0, -1]).all(1)
    weights = p[here] / p[here].sum()
    mean = weights @ h[here]
    seen = torch.tensor([1.0, 0.0, -1.0]).double()
    np.testing.assert_allclose(rbm.hidden_mean(seen).detach(), mean, rtol=1e-10)
    np.testing.assert_allclose(rbm.hidden.variance(rbm.hidden_input(seen)).detach(), weights @ h[here] ** 2 - mean**2, rtol=1e-10)
    drawn = rbm.sample_hidden(seen.expand(100_000, 3), generator=torch.Generator().manual_seed(0))
    assert (np.abs(drawn.mean(0).numpy() - mean) < 4 / math.sqrt(100_000)).all()


def test_the_gradient_against_finite_differences_of_the_likelihood():
    rbm = machine()
    data = torch.tensor([[1.0, 0.0, -1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]]).double()

    def score():
        v, _, p, _ = table(rbm)
        return np.mean([np.log(p[(v == row).all(1)].sum()) for row in data.numpy()])

    v, _, p, _ = table(rbm)
    rbm.accumulate_gradient(rbm.infer(data), scale=1 / 3, fresh=True)
    rbm.accumulate_gradient(rbm.infer(torch.tensor(v)), weights=torch.tensor(p), scale=-1.0)
    for name, parameter in rbm.named_parameters():
        flat = parameter.data.view(-1)
        for place in range(len(flat)):
            before = flat[place].item()
            flat[place] = before + 1e-5
            up = score()
            flat[place] = before - 1e-5
            down = score()
            flat[place] = before
            assert parameter.grad.view(-1)[place].item() == pytest.approx(-(up - down) / 2e-5, abs=1e-6), name


def test_annealing_needs_nothing_more():
    rbm = machine().float()
    found = hm.likelihood.ais(rbm, chains=200, betas=200, seed=0)
    assert abs(found.log_z - table(rbm.double())[3]) < 4 * found.standard_error + 0.01


@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_base_rates_and_learning():
    generator = torch.Generator().manual_seed(0)
    blocs = (torch.randint(0, 2, (1000, 2), generator=generator) * 2 - 1).repeat_interleave(3, 1).float()
    blocs[torch.rand(blocs.shape, generator=generator) < 0.2] = 0
    blocs[:, 0] = blocs[:, 0].abs()
    unit = Ternary(6)
    unit.init_from(blocs)
    np.testing.assert_allclose(unit.mean(unit.zero_input()).detach(), blocs.mean(0), atol=0.01)
    np.testing.assert_allclose(unit.variance(unit.zero_input()).detach(), blocs.var(0), atol=0.01)
    wanted = torch.tensor([0.2, -0.5, 0.0, 0.7, -0.9, 0.1])
    np.testing.assert_allclose(unit.mean(unit.base_input(wanted)).detach(), wanted, atol=0.01)
    rbm = hm.RBM(Ternary(6), hm.Bernoulli(4))
    state = hm.fit(rbm, blocs, epochs=30, batch_size=50, optimizer=lambda groups: torch.optim.SGD(groups, lr=0.05), seed=0, progress=False)
    assert state.history[-1]["reconstruction_error"] < 0.7 * state.history[0]["reconstruction_error"]


def test_the_default_mean_can_be_differentiated_by_the_units_own_parameters():
    unit, input = Ternary(3).double(), torch.tensor([0.5, -1.0, 2.0]).double()
    assert torch.autograd.gradcheck(lambda bias: torch.func.functional_call(Mean(unit), {"unit.bias": bias}, (input,)), unit.bias)


class Mean(nn.Module):
    def __init__(self, unit):
        super().__init__()
        self.unit = unit

    def forward(self, input):
        return self.unit.mean(input)


def test_what_it_does_not_say_is_refused_by_name():
    with pytest.raises(TypeError, match="mode"):
        Ternary(2).mode(torch.zeros(2))
    with pytest.raises(TypeError, match="not its state"):
        hm.Unit.mean(hm.Gaussian(2, learn_variance=True), torch.zeros(2))


@pytest.mark.parametrize("kind", LAYERS)
def test_closed_forms_agree_with_the_defaults(kind):
    unit = LAYERS[kind]().double()
    randomise(unit, np.random.default_rng(0))
    input = torch.tensor(-np.abs(np.random.default_rng(1).normal(size=(5, *unit.statistic_shape))) * 0.5)
    states, weights = torch.as_tensor(samples(unit, 5, 2)).double(), torch.tensor([0.1, 0.3, 0.2, 0.15, 0.25]).double()
    both = [
        (unit.parameter_gradient(states, input, weights), hm.Unit.parameter_gradient(unit, states, input, weights)),
        (unit.mean_parameter_gradient(input, weights), hm.Unit.mean_parameter_gradient(unit, input, weights)),
    ]
    for ours, default in both:
        for name in default:
            torch.testing.assert_close(ours[name], default[name], rtol=1e-6, atol=1e-8)
    one = torch.ones(unit.shape).double()
    if torch.equal(unit.statistic(one), one) and not unit.statistic_is_learnt:
        torch.testing.assert_close(unit.mean(input), hm.Unit.mean(unit, input), rtol=1e-6, atol=1e-8)
        torch.testing.assert_close(unit.variance(input), hm.Unit.variance(unit, input), rtol=1e-5, atol=1e-7)
