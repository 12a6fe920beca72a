"""Nets whose recognition and generative weights have parted, and the infinite net, whose weights are all one."""

import itertools

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.models.saving import describe
from tests import oracle
from tests.models.machines import close, machine, plain, samples


def net(*kinds, seed=0):
    return hm.DBN([machine(a, b, seed=seed + n) for n, (a, b) in enumerate(itertools.pairwise(kinds))])


NETS = [
    ("bernoulli", "bernoulli", "bernoulli", "bernoulli"),
    ("learnt_gaussian", "softmax", "bernoulli"),
    ("bernoulli", "spin", "gaussian"),
]


@pytest.mark.parametrize("kinds", NETS, ids="-".join)
def test_untying_changes_nothing_at_first(kinds):
    tied = net(*kinds)
    free = tied.untie()
    assert free.untied
    v = torch.tensor(samples(tied.visible, 5, 1))
    assert torch.equal(free.up(v), tied.up(v))
    draws = [dbn.up(v, generator=torch.Generator().manual_seed(0)) for dbn in (tied, free)]
    assert torch.equal(*draws)
    downs = [dbn.down(draws[0], generator=torch.Generator().manual_seed(0)) for dbn in (tied, free)]
    assert torch.equal(*downs)
    shown = [dbn.generate(4, steps=3, generator=torch.Generator().manual_seed(0)) for dbn in (tied, free)]
    assert torch.equal(*shown)
    bounds = [hm.likelihood.dbn_bound(dbn, v, log_z=1.0, samples=7).values for dbn in (tied, free)]
    assert torch.equal(*bounds)


def test_each_direction_has_its_own_weights_and_no_parameter_is_left_over():
    tied = net(*NETS[0])
    free = tied.untie()
    couplings = sum(p.numel() for rbm in tied.rbms[:-1] for p in rbm.coupling.parameters())
    assert sum(p.numel() for p in free.parameters()) == sum(p.numel() for p in tied.parameters()) + couplings
    assert not {id(p) for p in free.parameters()} & {id(p) for p in tied.parameters()}
    learnt = [p for layer in (*free.recognition, *free.generative) for m in (layer.unit, layer.coupling) for p in m.parameters()]
    learnt += list(free.top.parameters())
    assert len({id(p) for p in learnt}) == len(learnt)
    assert {id(p) for p in learnt} == {id(p) for p in free.parameters()}


def parted(seed=0):
    """An untied net, every parameter moved by its own amount."""
    free = net("bernoulli", "bernoulli", "bernoulli", seed=seed).untie()
    draw = torch.Generator().manual_seed(7)
    for parameter in free.parameters():
        parameter.data += torch.randn(parameter.shape, generator=draw, dtype=parameter.dtype)
    return free


def machines(free):
    """The first layer's recognition and generation, and the top, as the oracle's."""
    up, down = free.recognition[0], free.generative[0]
    return plain(free.rbms[0]), plain(hm.RBM(down.unit, up.unit, down.coupling)), plain(free.top)


def test_generation_uses_generative_weights_and_recognition_the_others():
    free = parted()
    up, down, top = machines(free)
    v = samples(free.visible, 5, 1)
    close(free.up(torch.tensor(v)), oracle.hidden_moments(up, v)[0], 1e-10)
    h = samples(hm.Bernoulli(3), 5, 2)
    close(free.down(torch.tensor(h)), oracle.hidden_moments(down.flipped(), h)[0], 1e-10)
    assert np.abs(oracle.hidden_moments(up.flipped(), h)[0] - oracle.hidden_moments(down.flipped(), h)[0]).max() > 0.1
    states, p = oracle.visible_distribution(top)
    found = free.generate(20000, steps=30, generator=torch.Generator().manual_seed(3)).numpy()
    expected = p @ oracle.hidden_moments(down.flipped(), states)[0]
    assert (np.abs(found.mean(0) - expected) < 4 * found.std(0) / np.sqrt(len(found))).all()


def test_the_bound_of_a_parted_net():
    free = parted()
    up, down, top = machines(free)
    v = samples(free.visible, 5, 1)
    h, q = oracle.conditional(up, v)
    log_down = -oracle.energies(down, v, h) + oracle.free_energy(down.flipped(), h)
    expected = (q * (log_down - np.log(q) + oracle.log_likelihood(top, h))).sum(1)
    found = hm.likelihood.dbn_bound(free, torch.tensor(v), log_z=oracle.log_z(top), samples=20000)
    assert (np.abs(found.values.numpy() - expected) < 4 * found.errors.numpy()).all()


def test_a_parted_net_comes_back_to_the_bit(tmp_path):
    free = parted()
    hm.save(free, tmp_path / "net")
    found = hm.load(tmp_path / "net")
    assert found.untied
    for name, tensor in free.state_dict().items():
        assert torch.equal(found.state_dict()[name], tensor)
    assert found.generative[0].coupling.weight is not found.recognition[0].coupling.weight
    assert found.generative[0].neighbour is found.recognition[0].unit
    assert found.recognition[0].neighbour is found.generative[0].unit


def test_files_of_before_there_were_untied_nets_still_load(tmp_path, monkeypatch):
    dbn = net(*NETS[0])
    monkeypatch.setattr(hm.DBN, "arguments", lambda self: {"rbms": self.rbms})
    assert "untied" not in describe(dbn)
    hm.save(dbn, tmp_path / "net")
    monkeypatch.undo()
    found = hm.load(tmp_path / "net")
    assert not found.untied
    for name, tensor in dbn.state_dict().items():
        assert torch.equal(found.state_dict()[name], tensor)


def distribution(rbm, depth):
    """p(v) of the directed net, from the independent top layer down, by multiplying tables."""
    plain_rbm = plain(rbm)
    sides = [plain_rbm, plain_rbm.flipped()]
    top = sides[depth % 2]
    states, measure = oracle.table(top.visible)
    p = np.exp(measure - oracle.layer_energy(top.visible, states))
    p /= p.sum()
    for level in range(depth, 0, -1):
        p = p @ oracle.conditional(sides[level % 2], states)[1]
        states = oracle.table(sides[level % 2].hidden)[0]
    return p


@pytest.mark.parametrize("pair", [("bernoulli", "bernoulli"), ("softmax", "binomial")])
def test_the_infinite_net_nears_its_machine_geometrically(pair):
    rbm = machine(*pair, seed=3, size=1.0)
    v, p = oracle.visible_distribution(plain(rbm))
    distances = [0.5 * np.abs(distribution(rbm, depth) - p).sum() for depth in range(1, 17)]
    ratios = np.array(distances[4::2]) / np.array(distances[2:-2:2])
    assert (ratios < 0.9).all()
    assert np.abs(np.diff(ratios)).max() < 0.05  # one factor, the Gibbs chain's second eigenvalue
    assert distances[-1] < 1e-2 * distances[0]
    for depth in (1, 2, 5):
        dbn = hm.infinite_net(rbm, depth)
        bound = hm.likelihood.dbn_bound(dbn, torch.tensor(v), log_z=hm.likelihood.exact_log_z(dbn.top), samples=3000, tighten=True)
        assert (
            np.abs(bound.values.exp().numpy() - distribution(rbm, depth)) < 4 * (bound.errors * bound.values.exp()).numpy() + 1e-9
        ).all()
        found = dbn.generate(20000, steps=1, generator=torch.Generator().manual_seed(depth)).numpy()
        expected = distribution(rbm, depth) @ v
        assert (np.abs(found.mean(0) - expected) < 4 * found.std(0) / np.sqrt(len(found)) + 1e-9).all()


def test_the_infinite_net_is_of_the_machines_tensors(tmp_path):
    rbm = machine("bernoulli", "bernoulli", seed=3)
    dbn = hm.infinite_net(rbm, 4)
    learnt = {id(p) for p in dbn.parameters() if p.requires_grad}
    assert learnt == {id(p) for p in rbm.parameters()}
    hm.save(dbn, tmp_path / "net")
    found = hm.load(tmp_path / "net")
    v = torch.tensor(samples(rbm.visible, 5, 1))
    assert torch.equal(found.up(v), dbn.up(v))
    assert found.recognition[1].coupling.coupling.weight is found.recognition[0].coupling.weight
    with pytest.raises(ValueError, match="depth=0"):
        hm.infinite_net(rbm, 0)
    with pytest.raises(ValueError, match="pooled"):
        hm.infinite_net(machine("bernoulli", "pooled"), 2)
    with pytest.raises(ValueError, match="cannot be the hidden"):
        hm.infinite_net(machine("replicated", "bernoulli"), 2)
