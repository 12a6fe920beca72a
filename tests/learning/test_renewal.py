"""Persistent chains that begin anew at cases now and then."""

from functools import partial

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.learning.loop.settings import described
from harmonium.learning.rules import Gibbs, Positive

DRAWS = torch.Generator().manual_seed(1)
DATA = torch.bernoulli(torch.full((40, 6), 0.4), generator=DRAWS)


def machine(seed: int = 3) -> hm.RBM:
    rbm = hm.RBM(hm.Bernoulli(3), hm.Bernoulli(2), seed=seed).double()
    for parameter in rbm.parameters():
        torch.nn.init.normal_(parameter, std=1.5, generator=torch.Generator().manual_seed(seed))
    return rbm


def steps(rbm: hm.RBM) -> np.ndarray:
    """The probabilities of a Gibbs step from any of the 8 visible states to any, by enumeration with NumPy."""
    weight, b, c = (each.detach().numpy() for each in (rbm.coupling.weight, rbm.visible.bias, rbm.hidden.bias))
    visible = np.array([[n >> 2 & 1, n >> 1 & 1, n & 1] for n in range(8)], float)
    hidden = np.array([[n >> 1 & 1, n & 1] for n in range(4)], float)

    def chance(states: np.ndarray, given: np.ndarray) -> np.ndarray:
        on = 1 / (1 + np.exp(-given))[:, None]
        return np.where(states[None] > 0, on, 1 - on).prod(-1)

    return chance(hidden, visible @ weight + c) @ chance(visible, hidden @ weight.T + b)


@pytest.mark.parametrize("weights", [None, (1.0, 3.0)])
def test_chains_are_distributed_as_enumeration_says(weights: tuple[float, ...] | None) -> None:
    """After each update they are those before or cases, drawn by their weights, one Gibbs step on."""
    rbm, chains, renewal, generator = machine(), 200_000, 0.3, torch.Generator().manual_seed(0)
    cases = torch.tensor([[0, 1, 1], [1, 0, 0]], dtype=torch.float64)
    shares = torch.tensor(weights or (1.0, 1.0)) / sum(weights or (1.0, 1.0))
    positive = Positive(rbm.infer(cases), 0.5 if weights is None else shares.double(), 1.0, hm.Given())
    rule = hm.PersistentCD(chains, renewal=renewal)
    slots = rule.init(rbm, generator)
    of_cases = np.zeros(8)
    of_cases[[3, 4]] = shares
    expected, step = of_cases, steps(rbm)
    for update in range(3):  # all begin at cases at the first
        expected = (expected if update == 0 else renewal * of_cases + (1 - renewal) * expected) @ step
        found = rule.particles(rbm, positive, slots, generator=generator)
        share = np.bincount((found @ torch.tensor([4.0, 2, 1], dtype=torch.float64)).long().numpy(), minlength=8) / chains
        error = (expected * (1 - expected) / chains) ** 0.5
        assert (np.abs(share - expected) < 4.5 * error).all(), update


def test_a_case_of_no_weight_starts_no_chain_and_a_batch_of_none_harms_none() -> None:
    rbm, rule = machine(), hm.PersistentCD(50, renewal=1.0)
    with torch.no_grad():
        rbm.coupling.weight.zero_()
        rbm.coupling.weight[:, 0] = 200.0  # a step keeps whether all units are on
        rbm.visible.bias.fill_(-100.0)
        rbm.hidden.bias.copy_(torch.tensor([-300.0, 0.0]))
    cases = torch.tensor([[0.0, 0, 0], [1.0, 1, 1]], dtype=torch.float64)
    for shares, values in (((1.0, 0.0), {0.0}), ((0.0, 1.0), {1.0}), ((0.0, 0.0), {0.0, 1.0})):
        slots = rule.init(rbm, torch.Generator().manual_seed(0))
        positive = Positive(rbm.infer(cases), torch.tensor(shares, dtype=torch.float64), 1.0, hm.Given())
        found = rule.particles(rbm, positive, slots, generator=torch.Generator().manual_seed(0))
        assert set(found.flatten().tolist()) == values


def test_a_process_without_a_case_leaves_its_chains() -> None:
    rbm, rule = machine(), hm.PersistentCD(50, renewal=1.0)
    slots = rule.init(rbm, torch.Generator().manual_seed(0))
    for shares in (0.1, torch.ones(0, dtype=torch.float64)):
        positive = Positive(rbm.infer(torch.empty(0, 3, dtype=torch.float64)), shares, 1.0, hm.Given())
        assert rule.particles(rbm, positive, slots, generator=torch.Generator().manual_seed(0)).shape == (50, 3)


def test_replicas_deep_machines_gaps_and_shapes_of_any_kind() -> None:
    rule = hm.PersistentCD(7, renewal=0.5)
    many = hm.Replicas([hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), seed=seed) for seed in range(3)])
    assert hm.fit(many, DATA, negative=rule, epochs=2, progress=False).chains.shape == (3, 7, 6)
    dbm = hm.DBM([hm.Bernoulli(size) for size in (6, 5, 4)])
    rbms = [hm.RBM(visible, 4) for visible in (hm.Bernoulli((2, 3)), hm.Softmax(2, categories=3), hm.Gaussian(6))]
    gap = hm.Given(missing=torch.rand(40, 6, generator=torch.Generator().manual_seed(0)) < 0.2)
    for model, data, given in (
        (dbm, DATA, hm.Given()),
        (rbms[0], DATA.reshape(40, 2, 3), hm.Given()),
        (rbms[1], torch.eye(3)[DATA[:, :2].long()].flatten(1), hm.Given()),
        (rbms[2], DATA + 0.1, hm.Given()),
        (hm.RBM(6, 4), DATA, gap),
    ):
        state = hm.fit(model, data, given=given, negative=rule, epochs=2, sample_weight=torch.rand(40), progress=False)
        assert state.chains.shape[0] == 7
        assert all(bool(parameter.isfinite().all()) for parameter in model.parameters())


def test_it_goes_on_to_the_same_bits(tmp_path) -> None:
    settings = {"negative": hm.PersistentCD(11, renewal=0.2), "batch_size": 10, "progress": False}
    whole, broken = hm.RBM(6, 4), hm.RBM(6, 4)
    hm.fit(whole, DATA, epochs=6, optimizer=partial(hm.MomentumSGD, lr=0.01, momentum=0.5), **settings)
    for epochs in (2, 6):
        hm.fit(broken, DATA, epochs=epochs, optimizer=partial(hm.MomentumSGD, lr=0.01, momentum=0.5), checkpoint=tmp_path / "c", **settings)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(broken.state_dict()[name], tensor), name


@pytest.mark.filterwarnings("ignore:of . hidden units")
def test_clusters_that_lie_far_apart_get_their_weights_sooner() -> None:
    """Four blocs of cases, of different sizes: neither chains that stay at cases nor chains that stay where they are weigh them well."""
    draws = torch.Generator().manual_seed(0)
    blocs = (torch.rand(4, 24, generator=draws) < 0.5).float()
    which = torch.multinomial(torch.tensor([0.5, 0.3, 0.15, 0.05]), 4000, replacement=True, generator=draws)
    rows = (blocs[which] + (torch.rand(4000, 24, generator=draws) < 0.05).float()) % 2
    found = {}
    for rule in (hm.ContrastiveDivergence(), hm.PersistentCD(renewal=0.1)):
        rbm = hm.RBM(24, 8)
        hm.fit(rbm, rows, updates=1000, negative=rule, progress=False)
        log_z = hm.likelihood.exact_log_z(rbm)
        found[type(rule)] = hm.likelihood.log_likelihood(rbm, rows, log_z=log_z).mean().item()
    assert found[hm.PersistentCD] > found[hm.ContrastiveDivergence] + 0.5, found


@pytest.mark.parametrize("renewal", [-0.1, 1.5, float("nan"), "0.1", None])
def test_a_probability(renewal) -> None:
    with pytest.raises(ValueError, match="the probability that a chain begins anew at a case"):
        hm.PersistentCD(renewal=renewal)


def test_chains_of_several_temperatures_are_refused() -> None:
    with pytest.raises(ValueError, match=r"chains of Gibbs\(\), found renewal=0.1 and Tempering"):
        hm.PersistentCD(sampler=hm.Tempering(3), renewal=0.1)
    assert hm.PersistentCD(sampler=hm.Tempering(3)).renewal == 0
    assert hm.PersistentCD(sampler=Gibbs(0.1), renewal=0.1).sampler.restarts == 0.1


def test_checkpoints_from_before_match() -> None:
    assert described(hm.PersistentCD(5)) == "PersistentCD(chains=5, steps=1, sampler=Gibbs())"
    assert described(hm.PersistentCD(5, renewal=0.1)) == "PersistentCD(chains=5, steps=1, sampler=Gibbs(), renewal=0.1)"


def test_numbers_of_any_kind_are_told_apart() -> None:
    """By what a checkpoint knows of the rule."""
    one, other = (hm.PersistentCD(5, renewal=np.float32(number)) for number in (0.25, 0.5))
    assert described(one) == described(hm.PersistentCD(5, renewal=torch.tensor(0.25))) == described(hm.PersistentCD(5, renewal=0.25))
    assert described(one) != described(other)
    assert described(hm.PersistentCD(5, renewal=1)) == described(hm.PersistentCD(5, renewal=1.0))
