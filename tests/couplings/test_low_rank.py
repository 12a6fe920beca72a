"""Weights of low rank against their product written out, and against the dense coupling."""

import numpy as np
import pytest
import torch

import harmonium as hm
from tests import oracle
from tests.couplings import checks
from tests.models.machines import LAYERS, close, parts

SHAPES = [((3,), (4,)), ((2, 3), (4,)), ((3,), (2, 2)), ((2, 3), (2, 2))]
PAIRS = [
    (a, b) for a in ("bernoulli", "learnt_gaussian", "softmax", "gaussian_bernoulli") for b in ("bernoulli", "learnt_gaussian", "softmax")
]


def product(coupling):
    """A B by loops."""
    left, right = coupling.left.detach().numpy(), coupling.right.detach().numpy()
    matrix = np.zeros((left.shape[0], right.shape[1]))
    for i, r, j in np.ndindex(left.shape[0], left.shape[1], right.shape[1]):
        matrix[i, j] += left[i, r] * right[r, j]
    return matrix


@pytest.mark.parametrize("leading", checks.LEADING)
@pytest.mark.parametrize(("visible", "hidden"), SHAPES)
def test_inputs_interaction_and_gradient(visible, hidden, leading):
    coupling = checks.randomised(hm.LowRank(visible, hidden, rank=2))
    checks.is_bilinear_in(coupling, product(coupling), leading)
    checks.has_the_gradient_of_its_interaction(coupling, leading)


@pytest.mark.parametrize("leading", checks.LEADING)
@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_in_a_machine(visible, hidden, leading):
    v, h = LAYERS[visible](), LAYERS[hidden]()
    rbm = checks.machine(v, h, hm.LowRank(v.shape, h.shape, rank=2), size=0.4)
    cases = checks.states(v, leading)
    checks.has_the_gradient_of_its_free_energy(rbm, cases)
    checks.obeys_bayes(rbm, cases, checks.states(h, leading))


@pytest.mark.parametrize(("visible", "hidden"), [("bernoulli", "softmax"), ("softmax", "bernoulli"), ("gaussian", "bernoulli")])
def test_free_energy_and_log_z_against_enumeration(visible, hidden):
    v, h = LAYERS[visible](), LAYERS[hidden]()
    rbm = checks.machine(v, h, hm.LowRank(v.shape, h.shape, rank=2))
    plain = oracle.Machine(parts(v), parts(h), product(rbm.coupling))
    cases = checks.states(v, (5,))
    close(rbm.free_energy(cases), oracle.free_energy(plain, cases.numpy()))
    assert hm.likelihood.exact_log_z(rbm) == pytest.approx(oracle.log_z(plain), abs=1e-5)


def test_at_full_rank_it_is_dense():
    visible, hidden = (2, 3), (4,)
    dense = checks.machine(hm.Bernoulli(visible), hm.Bernoulli(hidden), None)
    u, s, v = np.linalg.svd(dense.coupling.weight.detach().numpy(), full_matrices=False)
    low = checks.machine(hm.Bernoulli(visible), hm.Bernoulli(hidden), hm.LowRank(visible, hidden, rank=4))
    low.coupling.left.data, low.coupling.right.data = torch.tensor(u * s), torch.tensor(v)
    cases = checks.states(dense.visible, (20,))
    close(low.coupling.matrix(), dense.coupling.weight, 1e-12)
    close(low.free_energy(cases), dense.free_energy(cases), 1e-12)
    close(low.hidden_mean(cases), dense.hidden_mean(cases), 1e-12)
    assert hm.likelihood.exact_log_z(low) == pytest.approx(hm.likelihood.exact_log_z(dense), abs=1e-10)


@pytest.mark.parametrize("rank", [1, 30])
def test_each_weight_starts_with_the_variance_of_a_dense_one(rank):
    coupling = hm.LowRank(300, (20, 10), rank=rank, seed=1)
    weight = coupling.matrix()
    assert weight.shape == (300, 200)
    # The mean square is a product of about 300 · rank and 200 · rank squares' averages: a relative deviation of 0.13 at rank one.
    assert weight.square().mean().sqrt().item() == pytest.approx(0.01, rel=0.2 if rank == 1 else 0.05)
    assert torch.equal(coupling.left, hm.LowRank(300, 200, rank=rank, seed=1).left)
    assert not torch.equal(coupling.left, hm.LowRank(300, 200, rank=rank, seed=2).left)
    wider = hm.LowRank(300, 200, rank=rank, scale=0.1, seed=1)
    torch.testing.assert_close(wider.matrix(), 10 * weight)


def test_the_whole_matrix_is_never_formed():
    coupling = hm.LowRank(300_000, 300_000, rank=2)
    s_v, s_h = torch.ones(1, 300_000), torch.ones(1, 300_000)  # the matrix would take 360 GB
    assert coupling.to_hidden(s_v).shape == coupling.to_visible(s_h).shape == (1, 300_000)
    coupling.accumulate_gradient(s_v, s_h, weights=None, scale=1.0, fresh=True)
    torch.testing.assert_close(coupling.left.grad[5], -coupling.right.detach().sum(1), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("settings", "message"), [({"rank": 0}, "rank of at least 1, found 0"), ({"rank": 2, "scale": 0.0}, "above 0")])
def test_what_is_no_low_rank_coupling_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        hm.LowRank(3, 2, **settings)


@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_learning_raises_the_exact_likelihood():
    draw = np.random.default_rng(0)
    side = draw.integers(2, size=(200, 1))
    clean = np.concatenate([np.repeat(side, 4, 1), np.repeat(1 - side, 4, 1)], axis=1)
    data = torch.tensor(np.where(draw.random((200, 8)) < 0.1, 1 - clean, clean), dtype=torch.float32)
    rbm = hm.RBM(hm.Bernoulli(8), hm.Bernoulli(6), hm.LowRank(8, 6, rank=2, scale=0.05))
    rbm.visible.init_from(data)

    def likelihood():
        return hm.likelihood.log_likelihood(rbm, data, log_z=hm.likelihood.exact_log_z(rbm)).mean().item()

    before = likelihood()
    hm.fit(rbm, data, epochs=30, batch_size=20, optimizer=lambda groups: torch.optim.SGD(groups, lr=0.05, momentum=0.5), progress=False)
    assert before == pytest.approx(-8 * np.log(2), abs=0.1)
    assert likelihood() > -3.5  # the source itself has an entropy of 3.29 nats


def test_saved_and_stacked(tmp_path):
    data = torch.tensor(np.random.default_rng(0).integers(2, size=(40, 2, 3)), dtype=torch.float32)
    couplings = [hm.LowRank((2, 3), 5, rank=2, seed=1), hm.LowRank(5, 4, rank=3, seed=2)]
    dbn = hm.greedy(data, [hm.Bernoulli((2, 3)), hm.Bernoulli(5), hm.Bernoulli(4)], couplings=couplings, epochs=2, progress=False)
    found = checks.round_trip(dbn.rbms[0], tmp_path / "rbm", data)
    assert (found.coupling.rank, found.coupling.visible, found.coupling.hidden) == (2, (2, 3), (5,))
    hm.save(dbn, tmp_path / "dbn")
    fantasies = [
        net.generate(3, steps=2, generator=torch.Generator().manual_seed(0), start=data[:3]) for net in (dbn, hm.load(tmp_path / "dbn"))
    ]
    assert fantasies[0].shape == (3, 2, 3)
    assert torch.equal(*fantasies)
