"""The variational bound of deep belief nets small enough to sum over every state of every layer."""

import copy
import itertools
import math
import sys

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.likelihood import dbn_bound
from harmonium.models import Directed
from harmonium.units import Given
from tests import oracle
from tests.models.machines import close, machine, plain, samples

CASES = 5


def net(*kinds, seed=0, size=0.5):
    """A stack of random machines of these kinds of layer, bottom to top."""
    return hm.DBN([machine(a, b, seed=seed + n, size=size) for n, (a, b) in enumerate(itertools.pairwise(kinds))])


def summed(pairs, top, v):
    """log p(v) and E_Q[log w] of each case, by summing over the states of the hidden layers of the directed pairs one below the other.

    `pairs`: for each directed layer the machine that recognises and the one that generates.
    """
    if not pairs:
        found = oracle.log_likelihood(top, v)
        return found, found
    (up, down), *rest = pairs
    h, measure = oracle.table(up.hidden)
    log_down = -oracle.energies(down, v, h) + oracle.free_energy(down.flipped(), h)
    log_q = -oracle.energies(up, v, h) + oracle.free_energy(up, v)[:, None]
    exact_above, bound_above = summed(rest, top, h)
    q = np.exp(measure + log_q)
    assert np.abs(q.sum(1) - 1).max() < 1e-6
    exact = oracle.logsumexp(measure + log_down + exact_above, axis=1)
    return exact, (q * (log_down - log_q + bound_above)).sum(1)


def truth(dbn, v):
    *below, top = [plain(rbm) for rbm in dbn.rbms]
    return summed([(rbm, rbm) for rbm in below], top, v)


def top_log_z(dbn):
    return oracle.log_z(plain(dbn.top))


STACKS = [
    ("bernoulli", "bernoulli", "bernoulli"),
    ("softmax", "bernoulli", "gaussian"),
    ("gaussian_bernoulli", "bernoulli", "softmax"),
    ("replicated", "bernoulli", "bernoulli"),
    ("binomial", "spin", "bernoulli"),
    ("bernoulli", "gaussian", "bernoulli"),
    ("spin", "stepped", "poisson"),
    ("truncated", "bernoulli_softmax", "spin"),
    ("pooled", "binomial", "pooled"),
    ("bernoulli", "bernoulli", "softmax", "bernoulli"),
    ("gaussian", "spin", "bernoulli", "gaussian"),
]


@pytest.mark.parametrize("kinds", STACKS, ids="-".join)
def test_the_bound_of_every_kind(kinds):
    dbn = net(*kinds, size=0.3)
    v = samples(dbn.rbms[0].visible, CASES, 1)
    exact, bound = truth(dbn, v)
    assert (bound < exact + 1e-9).all()
    found = dbn_bound(dbn, torch.tensor(v), log_z=top_log_z(dbn), samples=4000, seed=1)
    assert found.values.dtype == torch.float64
    assert (np.abs(found.values.numpy() - bound) < 4 * found.errors.numpy() + 1e-6).all()
    assert (found.errors < 0.05).all()
    close(found.mean, found.values.mean(), 1e-12)
    tight = dbn_bound(dbn, torch.tensor(v), log_z=top_log_z(dbn), samples=4000, seed=2, tighten=True)
    assert (np.abs(tight.values.numpy() - exact) < 4 * tight.errors.numpy() + 1e-6).all()
    assert (tight.errors < 0.05).all()


def test_tightening_rises_from_the_bound_to_the_truth():
    """In expectation over many draws: one sample is the bound, more are never worse, many reach log p(v)."""
    dbn = net("bernoulli", "bernoulli", "bernoulli", size=1.0, seed=4)
    v = np.tile([[1.0, 0.0, 1.0]], (4000, 1))
    exact, bound = (each[0] for each in truth(dbn, v[:1]))
    assert exact - bound > 0.1
    means, errors = [], []
    for count in (1, 4, 16, 256):
        found = dbn_bound(dbn, torch.tensor(v), log_z=top_log_z(dbn), samples=count, seed=count, tighten=True)
        means.append(found.mean)
        errors.append(found.case_error)  # all cases are one, so that only the draws differ
    assert abs(means[0] - bound) < 4 * errors[0]
    for (low, high), (a, b) in zip(itertools.pairwise(means), itertools.pairwise(errors), strict=True):
        assert high - low > 4 * math.hypot(a, b)
    assert exact - 0.2 * (exact - bound) < means[-1] < exact + 4 * errors[-1]


def tied(below):
    """The second machine that is the first one turned over."""
    rbm = hm.RBM(copy.deepcopy(below.hidden), copy.deepcopy(below.visible)).double()
    rbm.coupling.weight.data = below.coupling.weight.data.T.clone()
    return rbm


@pytest.mark.parametrize("visible", ["bernoulli", "softmax", "gaussian"])
def test_a_tied_second_machine_makes_every_weight_the_truth(visible):
    """The posterior is then factorial, so that Q is exact and one draw is enough (Hinton, Osindero & Teh 2006)."""
    below = machine(visible, "bernoulli", seed=4, size=1.5)
    dbn = hm.DBN([below, tied(below)])
    v = samples(below.visible, CASES, 2)
    for tighten in (False, True):
        found = dbn_bound(dbn, torch.tensor(v), log_z=oracle.log_z(plain(below)), samples=3, tighten=tighten)
        close(found.values, oracle.log_likelihood(plain(below), v), 1e-9)
        assert found.sample_error < 1e-9
        close(found.ess, np.full(CASES, 3.0), 1e-6)


@pytest.mark.parametrize("visible", ["bernoulli", "replicated"])
def test_a_net_of_one_machine_has_its_likelihood(visible):
    rbm = machine(visible, "bernoulli")
    v = samples(rbm.visible, CASES, 0)
    found = dbn_bound(hm.DBN([rbm]), torch.tensor(v), log_z=oracle.log_z(plain(rbm)))
    close(found.values, oracle.log_likelihood(plain(rbm), v))
    assert found.sample_error == 0
    assert found.case_error == pytest.approx(found.values.std().item() / math.sqrt(CASES))


def test_recognition_and_generation_that_have_parted():
    """After fine-tuning the two are no longer of the same tensors, and each plays its own part."""
    dbn = net("bernoulli", "bernoulli", "bernoulli", seed=5)
    first = dbn.rbms[0]
    other = machine("bernoulli", "bernoulli", seed=9)
    dbn.generative[0] = Directed(other.visible, other.coupling, first.hidden, upward=False)
    v = samples(first.visible, CASES, 1)
    exact, bound = summed([(plain(first), plain(other))], plain(dbn.top), v)
    assert np.abs(exact - truth(dbn, v)[0]).max() > 0.1
    found = dbn_bound(dbn, torch.tensor(v), log_z=top_log_z(dbn), samples=20000)
    assert (np.abs(found.values.numpy() - bound) < 4 * found.errors.numpy()).all()


@pytest.mark.parametrize("seed", range(10))
def test_learning_the_second_layer_raises_the_bound(seed):
    """From the tied start, by exact gradient steps on E_Q[log p(h)]: log p(new) >= bound(new) >= log p(old), averaged over the training
    data (Hinton, Osindero & Teh 2006, section 4)."""
    draw = np.random.default_rng(seed)
    v = draw.permutation(np.repeat(draw.integers(2, size=(4, 4)).astype(float), 10, axis=0))
    below = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3), hm.Dense(4, 3, scale=2.0, seed=seed)).double()
    dbn = hm.DBN([below, tied(below)])
    h, _ = oracle.table(plain(below).hidden)
    wanted = torch.tensor(oracle.conditional(plain(below), v)[1].mean(0))
    old = oracle.log_likelihood(plain(below), v)
    data = torch.tensor(v)
    before = dbn_bound(dbn, data, log_z=top_log_z(dbn), samples=20)
    close(before.values, old, 1e-9)
    optimiser = torch.optim.SGD(dbn.top.parameters(), lr=0.2)
    bounds = [old.mean()]
    for step in range(100):
        optimiser.zero_grad()
        free = dbn.top.free_energy(torch.tensor(h))
        loss = (wanted * free).sum() + torch.logsumexp(-free, dim=0)
        loss.backward()
        optimiser.step()
        if step in (0, 9, 99):
            exact, bound = truth(dbn, v)
            assert exact.mean() >= bound.mean() >= bounds[-1]
            bounds.append(bound.mean())
    assert bounds[-1] > old.mean() + 0.01
    after = dbn_bound(dbn, data, log_z=top_log_z(dbn), samples=400, seed=1)
    assert abs(after.mean - bounds[-1]) < 4 * after.sample_error


@pytest.mark.parametrize("seed", range(10))
def test_exact_steps_from_the_tied_start_keep_the_guarantee(seed):
    """log p(new) >= bound(new) >= log p(old), averaged over the training data, at every exact step that raises E_Q log p(h) from the tied
    start, on ten machines and ten data sets (Hinton, Osindero & Teh 2006, section 4). All by enumeration; steps that would not raise
    E_Q log p(h) are halved until they do."""
    v = np.random.default_rng(seed).integers(2, size=(12, 4)).astype(float)
    below = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3), hm.Dense(4, 3, scale=1.5, seed=seed)).double()
    dbn = hm.DBN([below, tied(below)])
    h = torch.tensor(oracle.table(plain(below).hidden)[0])
    wanted = torch.tensor(oracle.conditional(plain(below), v)[1].mean(0))
    old = oracle.log_likelihood(plain(below), v).mean()

    def expected() -> torch.Tensor:
        free = dbn.top.free_energy(h)
        return -(wanted * free).sum() - torch.logsumexp(-free, dim=0)

    last, exact, bound = expected().item(), *(each.mean() for each in truth(dbn, v))
    assert abs(exact - old) < 1e-8
    assert abs(bound - old) < 1e-8
    for _ in range(20):
        gradient = torch.autograd.grad(expected(), list(dbn.top.parameters()))
        rate = 0.5
        while True:
            with torch.no_grad():
                for parameter, slope in zip(dbn.top.parameters(), gradient, strict=True):
                    parameter.add_(slope, alpha=rate)
            if (now := expected().item()) >= last:
                break
            with torch.no_grad():
                for parameter, slope in zip(dbn.top.parameters(), gradient, strict=True):
                    parameter.sub_(slope, alpha=rate)
            rate /= 2
        exact, bound = (each.mean() for each in truth(dbn, v))
        assert exact >= bound - 1e-9
        assert bound >= old - 1e-9
        last = now
    assert bound > old + 1e-3


def test_standard_errors_are_those_of_the_repeats():
    dbn = net("bernoulli", "bernoulli", "bernoulli")
    v = torch.tensor(samples(dbn.rbms[0].visible, 20, 1))
    for tighten in (False, True):
        found = [dbn_bound(dbn, v, log_z=1.0, samples=100, seed=seed, tighten=tighten) for seed in range(200)]
        spread = np.std([each.mean for each in found], ddof=1)
        assert np.mean([each.sample_error for each in found]) == pytest.approx(spread, rel=0.2)
    assert found[0].case_error == pytest.approx(found[0].values.std().item() / math.sqrt(20))
    assert dbn_bound(dbn, v, log_z=1.0, samples=1).sample_error == math.inf


def test_blocks_do_not_matter(monkeypatch):
    dbn = net("bernoulli", "bernoulli", "bernoulli")
    v = samples(dbn.rbms[0].visible, 7, 1)
    _, bound = truth(dbn, v)
    for values in (3, 50, 1000):
        monkeypatch.setattr(sys.modules["harmonium.likelihood.dbn_bound"], "VALUES", values)
        found = dbn_bound(dbn, torch.tensor(v), log_z=top_log_z(dbn), samples=300)
        assert (np.abs(found.values.numpy() - bound) < 4 * found.errors.numpy()).all()


def test_seeds_types_and_one_log_z_a_case():
    dbn = net("bernoulli", "bernoulli", "bernoulli")
    v = samples(dbn.rbms[0].visible, CASES, 1)
    one, same, other = (dbn_bound(dbn, torch.tensor(v), log_z=0.0, samples=10, seed=seed).values for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    shifts = torch.arange(CASES, dtype=torch.float64)
    close(dbn_bound(dbn, v.astype(np.uint8), log_z=shifts, samples=10).values, one - shifts, 1e-12)
    single = dbn_bound(copy.deepcopy(dbn).float(), torch.tensor(v), log_z=top_log_z(dbn), samples=20000)
    assert single.values.dtype == torch.float64
    assert (np.abs(single.values.numpy() - truth(dbn, v)[1]) < 4 * single.errors.numpy()).all()


@pytest.mark.parametrize("kind", ["missing", "present"])
def test_gaps_are_summed_out(kind):
    dbn = net("bernoulli", "bernoulli", "bernoulli", seed=6)
    gap = np.array([False, True, False])
    v = np.array([[1.0, math.nan, 0.0], [0.0, math.nan, 1.0]])
    both = [np.where(gap, value, v) for value in (0.0, 1.0)]
    exact = np.logaddexp(*(truth(dbn, each)[0] for each in both))
    mask = torch.tensor(gap if kind == "missing" else ~gap)
    found = dbn_bound(dbn, torch.tensor(v), log_z=top_log_z(dbn), samples=20000, tighten=True, given=Given(**{kind: mask}))
    assert (np.abs(found.values.numpy() - exact) < 4 * found.errors.numpy()).all()


def test_a_context_reaches_every_layer():
    draw = torch.Generator().manual_seed(2)
    rbms = [hm.RBM(hm.Bernoulli(3), hm.Bernoulli(3), hm.Conditional(hm.Dense(3, 3), 2)).double() for _ in range(2)]
    for rbm in rbms:
        for parameter in rbm.parameters():
            parameter.data.normal_(generator=draw)
    contexts = torch.tensor([[1.0, -0.5], [0.0, 2.0]], dtype=torch.float64)
    log_z = torch.tensor([hm.likelihood.exact_log_z(rbms[1], given=Given(context=c)) for c in contexts])
    v = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    found = dbn_bound(hm.DBN(rbms), torch.tensor(v), log_z=log_z, samples=20000, given=Given(context=contexts))
    for case, context in enumerate(contexts.numpy()):
        plains = []
        for rbm in rbms:
            base = hm.RBM(rbm.visible, rbm.hidden, rbm.coupling.coupling)
            shifts = (context @ rbm.coupling.dynamic[side].detach().numpy() for side in ("visible", "hidden"))
            plains.append(oracle.Machine(plain(base).visible, plain(base).hidden, plain(base).weight, *shifts))
        _, bound = summed([(plains[0], plains[0])], plains[1], v[case : case + 1])
        assert abs(found.values[case].item() - bound[0]) < 4 * found.errors[case].item()


def test_refusals():
    def refused(error, match, *layers, data=None, **settings):
        rbms = [hm.RBM(a, b) for a, b in zip(layers[::2], layers[1::2], strict=True)]
        with pytest.raises(error, match=match):
            dbn_bound(hm.DBN(rbms), torch.ones(2, *layers[0].shape) if data is None else data, **{"log_z": 0.0, **settings})

    bits = [hm.Bernoulli(3), hm.Bernoulli(2), hm.Bernoulli(2), hm.Bernoulli(2)]
    grey = hm.Bernoulli(3, values="probabilities")
    refused(ValueError, "Bernoulli units expect 0 or 1", grey, *bits[1:], data=torch.full((2, 3), 0.5))
    refused(TypeError, "NoisyReLU.*bound", bits[0], hm.NoisyReLU(2), hm.NoisyReLU(2), bits[3])
    refused(ValueError, "pooled", bits[0], hm.PooledBlocks(4, pool=2), *bits[2:])
    refused(ValueError, "real-valued: found Bernoulli.*Gaussian", *bits[:2], hm.Gaussian(2), bits[3])
    refused(ValueError, "Bernoulli units expect", bits[0], hm.Binomial(2, copies=9), *bits[2:])
    refused(ValueError, "samples=0", *bits, samples=0)
    refused(ValueError, "each of 2 cases", *bits, log_z=torch.zeros(3))
    spoilt = hm.Bernoulli(2)
    spoilt.bias.data.fill_(math.nan)
    refused(ValueError, "case 0 is not a finite number", *bits[:3], spoilt)
