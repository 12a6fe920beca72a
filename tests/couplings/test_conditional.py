"""Machines whose biases depend on a context, against machines with these biases enumerated one context at a time."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.units import NOTHING, Given
from tests import oracle
from tests.couplings import checks
from tests.models.machines import LAYERS, close, parts

BASES = {
    "dense": lambda: hm.Dense((2, 3), (2, 2)),
    "low rank": lambda: hm.LowRank((2, 3), (2, 2), rank=2),
    "convolutional": lambda: hm.Convolutional((2, 3), 2, kernel=2),
    "conditional": lambda: hm.Conditional(hm.Dense((2, 3), (2, 2)), 3),
}
PAIRS = [(a, b) for a in ("bernoulli", "learnt_gaussian", "softmax") for b in ("bernoulli", "learnt_gaussian", "softmax")]


def contexts(*shape, seed=7):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def dynamic(coupling):
    """A and B as arrays."""
    return tuple(coupling.dynamic[side].detach().numpy() for side in ("visible", "hidden"))


@pytest.mark.parametrize("leading", checks.LEADING)
@pytest.mark.parametrize("base", BASES)
def test_inputs_interaction_and_gradient(base, leading):
    coupling = checks.randomised(hm.Conditional(BASES[base](), 3))
    assert (coupling.visible, coupling.hidden) == ((2, 3), (2, 2))
    matrix, (a, b) = coupling.matrix().numpy(), dynamic(coupling)
    if base == "conditional":
        inner_a, inner_b = dynamic(coupling.coupling)
        a, b = a + inner_a, b + inner_b
    close(matrix, (coupling.coupling if base != "conditional" else coupling.coupling.coupling).matrix(), 1e-12)
    s_v, s_h, _ = checks.statistics(coupling, leading)
    rows_v, rows_h = s_v.numpy().reshape(-1, 6), s_h.numpy().reshape(-1, 4)
    for c in (contexts(*leading, 3), contexts(3), contexts(*leading[1:], 3)):  # one for each case, for all, for all replicas
        given = Given(context=c)
        rows_c = c.expand(*leading, 3).numpy().reshape(-1, 3)
        close(coupling.to_hidden(s_v, given), (rows_v @ matrix + rows_c @ b).reshape(s_h.shape), 1e-12)
        close(coupling.to_visible(s_h, given), (rows_h @ matrix.T + rows_c @ a).reshape(s_v.shape), 1e-12)
        alone_v, alone_h = (rows_v * (rows_c @ a)).sum(1), (rows_h * (rows_c @ b)).sum(1)
        close(coupling.visible_alone(s_v, given), alone_v.reshape(leading), 1e-12)
        close(coupling.hidden_alone(s_h, given), alone_h.reshape(leading), 1e-12)
        met = np.einsum("ni,ij,nj->n", rows_v, matrix, rows_h)
        close(coupling.interaction(s_v, s_h, given), (met + alone_v + alone_h).reshape(leading), 1e-12)
        checks.has_the_gradient_of_its_interaction(coupling, leading, given)


def test_a_context_with_a_shape_or_of_truth_values():
    coupling = checks.randomised(hm.Conditional(hm.Dense(2, 3), (2, 4)))
    flat = checks.randomised(hm.Conditional(hm.Dense(2, 3), 8))
    s_v, s_h, _ = checks.statistics(coupling, (5,))
    c = contexts(5, 2, 4) > 0
    for method, statistic in (("to_hidden", s_v), ("to_visible", s_h)):
        found = getattr(coupling, method)(statistic, Given(context=c))
        close(found, getattr(flat, method)(statistic, Given(context=c.flatten(1).double())), 1e-12)


def test_both_start_at_zero_where_the_context_changes_nothing():
    coupling = hm.Conditional(hm.Dense(4, 3, seed=5), 2)
    assert not coupling.dynamic["visible"].any()
    assert not coupling.dynamic["hidden"].any()
    plain = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3), seed=5)
    rbm, v = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3), coupling), torch.eye(4)
    given = Given(context=torch.ones(4, 2))
    torch.testing.assert_close(rbm.free_energy(v, given), plain.free_energy(v))
    assert [name for name, _ in coupling.named_parameters()] == ["coupling.weight", "dynamic.hidden", "dynamic.visible"]


@pytest.mark.parametrize("leading", checks.LEADING)
@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_in_a_machine(visible, hidden, leading):
    v, h = LAYERS[visible](), LAYERS[hidden]()
    rbm = checks.machine(v, h, hm.Conditional(hm.Dense(v.shape, h.shape), 2), size=0.4)
    cases, given = checks.states(v, leading), Given(context=contexts(*leading, 2))
    checks.has_the_gradient_of_its_free_energy(rbm, cases, given)
    checks.obeys_bayes(rbm, cases, checks.states(h, leading), given)


@pytest.mark.parametrize("base", ["low rank", "convolutional", "conditional"])
def test_other_bases_in_a_machine(base):
    v, h = hm.Gaussian((2, 3), learn_variance=True), hm.Bernoulli((2, 2), bias_shape=(2, 1))
    rbm = checks.machine(v, h, hm.Conditional(BASES[base](), 3))
    cases, given = checks.states(v, (4,)), Given(context=contexts(4, 3))
    checks.has_the_gradient_of_its_free_energy(rbm, cases, given)
    checks.obeys_bayes(rbm, cases, checks.states(h, (4,)), given)


def with_biases_of(rbm, c):
    """The machine whose own biases are those that the context makes, for the oracle."""
    (v,), (h,), (a, b) = parts(rbm.visible), parts(rbm.hidden), dynamic(rbm.coupling)
    weight = rbm.coupling.coupling.weight.detach().numpy()
    return oracle.Machine((replace(v, bias=v.bias + c.numpy() @ a),), (replace(h, bias=h.bias + c.numpy() @ b),), weight)


# The first list the hidden states, the second the visible ones.
@pytest.mark.parametrize(("visible", "hidden"), [(4, 3), (3, 4)])
def test_each_context_has_its_own_partition_function(visible, hidden):
    coupling = hm.Conditional(hm.Dense(visible, hidden), 2)
    rbm = checks.machine(hm.Bernoulli(visible), hm.Bernoulli(hidden), coupling, size=1.0)
    v = rbm.visible.states(torch.arange(2**visible))
    found = []
    for c in contexts(3, 2):
        given, plain = Given(context=c), with_biases_of(rbm, c)
        log_z = hm.likelihood.exact_log_z(rbm, given=given)
        found.append(log_z)
        assert log_z == pytest.approx(oracle.log_z(plain), abs=1e-5)
        close(rbm.free_energy(v, given), oracle.free_energy(plain, v.numpy()))
        every = Given(context=c.expand(len(v), 2))
        log_p = hm.likelihood.log_likelihood(rbm, v, log_z=log_z, given=every)
        assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-10)
        close(log_p, oracle.log_likelihood(plain, v.numpy()))
    assert np.ptp(found) > 0.3


@pytest.mark.parametrize(("visible", "hidden"), [("softmax", hm.Bernoulli), ("gaussian", hm.Bernoulli), ("gaussian", hm.Gaussian)])
def test_likelihood_of_other_kinds_against_enumeration(visible, hidden):
    v, h = LAYERS[visible](), hidden(1)
    rbm = checks.machine(v, h, hm.Conditional(hm.Dense(v.shape, 1), 2), size=0.4)
    cases = checks.states(v, (6,))
    for c in contexts(3, 2):
        log_z = hm.likelihood.exact_log_z(rbm, given=Given(context=c))
        found = hm.likelihood.log_likelihood(rbm, cases, log_z=log_z, given=Given(context=c.expand(6, 2)))
        close(found, oracle.log_likelihood(with_biases_of(rbm, c), cases.numpy()))


def test_gibbs_sampling_keeps_each_contexts_distribution():
    rbm = checks.machine(hm.Bernoulli(3), hm.Bernoulli(2), hm.Conditional(hm.Dense(3, 2), 2), size=1.0)
    generator, count = torch.Generator().manual_seed(0), 20_000
    c = contexts(2, 2)
    start = torch.zeros(2, count, 3, dtype=torch.float64)
    given = Given(context=c[:, None].expand(2, count, 2))
    v = rbm.gibbs(start, steps=30, generator=generator, given=given)
    for n in range(2):
        states, p = oracle.visible_distribution(with_biases_of(rbm, c[n]))
        found = [(v[n].numpy() == state).all(1).mean() for state in states]
        assert np.all(np.abs(found - p) < 4.5 * np.sqrt(p * (1 - p) / count))


def test_annealing_under_one_context():
    rbm = checks.machine(hm.Bernoulli(5), hm.Bernoulli(4), hm.Conditional(hm.Dense(5, 4), 2), size=1.0)
    for c in contexts(2, 2):
        found = hm.likelihood.ais(rbm, chains=200, betas=200, given=Given(context=c))
        assert found.log_z == pytest.approx(oracle.log_z(with_biases_of(rbm, c)), abs=max(4 * found.standard_error, 1e-3))


def conditional_likelihood(rbm, frames, contexts):
    """Mean log p(frame | context), by enumeration."""
    rbm = rbm.double()
    found = [oracle.log_likelihood(with_biases_of(rbm, c), v[None].numpy())[0] for v, c in zip(frames, contexts, strict=True)]
    rbm.float()
    return np.mean(found)


def test_learning_the_next_frame_of_a_sequence():
    """A bar of two goes round a ring of five, at times stepping on by two: the frame alone is one in five, given the past one in two."""
    draw, place, sequence = np.random.default_rng(0), 0, []
    for _ in range(400):
        sequence.append(np.roll([1.0, 1, 0, 0, 0], place))
        place += draw.integers(1, 3)
    frames, past = hm.data.past_frames(np.array(sequence, dtype=np.float32), 1)
    rbm = hm.RBM(hm.Bernoulli(5), hm.Bernoulli(6), hm.Conditional(hm.Dense(5, 6, scale=0.1), 5))
    rbm.visible.init_from(frames)
    some = (frames[:40].double(), past[:40].double())
    before = conditional_likelihood(rbm, *some)
    hm.fit(
        rbm,
        frames,
        given=Given(context=past),
        epochs=40,
        batch_size=20,
        negative=hm.ContrastiveDivergence(steps=3),
        optimizer=lambda groups: torch.optim.SGD(groups, lr=0.05, momentum=0.9),
        validation=frames[:50],
        validation_given=Given(context=past[:50]),
        progress=False,
    )
    after = conditional_likelihood(rbm, *some)
    assert before < -3
    assert after > -1.2  # at best -log 2 = -0.69; whoever ignores the past gets no more than -log 5 = -1.61


def test_chains_that_belong_to_no_case_are_refused():
    rbm = hm.RBM(hm.Bernoulli(3), hm.Bernoulli(2), hm.Conditional(hm.Dense(3, 2), 2))
    data = torch.zeros(10, 3)
    with pytest.raises(ValueError, match="belong to no case"):
        hm.fit(rbm, data, given=Given(context=torch.zeros(10, 2)), negative=hm.PersistentCD(chains=5), epochs=1, progress=False)
    for negative in (hm.PersistentCD(chains=5), hm.ContrastiveDivergence()):
        with pytest.raises(ValueError, match=r"expected given=Given\(context=...\) of shape \(..., 2\), found none"):
            hm.fit(rbm, data, negative=negative, epochs=1, progress=False)


def test_a_missing_or_misshapen_context_is_named():
    rbm = hm.RBM(hm.Bernoulli(3), hm.Bernoulli(2), hm.Conditional(hm.Dense(3, 2), (2, 4)))
    v, h = torch.zeros(5, 3), torch.zeros(5, 2)
    for given in (NOTHING, Given(length=torch.ones(5))):
        for method, states in ((rbm.free_energy, v), (rbm.hidden_free_energy, h), (rbm.hidden_mean, v), (rbm.visible_mean, h)):
            with pytest.raises(ValueError, match=r"given=Given\(context=...\) of shape \(..., 2, 4\), found none"):
                method(states, given)
    with pytest.raises(ValueError, match=r"of shape \(..., 2, 4\), found \(5, 8\)"):
        rbm.free_energy(v, Given(context=torch.zeros(5, 8)))
    with pytest.raises(ValueError, match=r"at least one number along each axis of its shape, found \(0,\)"):
        hm.Conditional(hm.Dense(3, 2), 0)


def test_dynamic_biases_that_are_frozen_stay_as_they_are():
    coupling = hm.Conditional(hm.Dense(3, 2), 2)
    coupling.dynamic["visible"].requires_grad_(False)
    rbm = hm.RBM(hm.Bernoulli(3), hm.Bernoulli(2), coupling)
    data = torch.tensor(np.random.default_rng(0).integers(2, size=(20, 3)), dtype=torch.float32)
    hm.fit(rbm, data, given=Given(context=data[:, :2]), epochs=2, weight_cost=0.1, progress=False)
    assert not coupling.dynamic["visible"].any()
    assert coupling.dynamic["hidden"].any()


@pytest.mark.parametrize("base", BASES)
def test_saved(tmp_path, base):
    context = (3,) if base == "conditional" else (3, 1)
    rbm = checks.machine(hm.Bernoulli((2, 3)), hm.Bernoulli((2, 2)), hm.Conditional(BASES[base](), context))
    given = Given(context=contexts(4, *context))
    found = checks.round_trip(rbm, tmp_path / "rbm", checks.states(rbm.visible, (4,)), given)
    assert type(found.coupling.coupling) is type(rbm.coupling.coupling)
    assert found.coupling.context == context
