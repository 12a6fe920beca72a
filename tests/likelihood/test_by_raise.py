"""RAISE beside the other ways to log Z, the lowest of which is what an evaluation quotes."""

import math

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.likelihood import evaluate
from harmonium.likelihood.log_z_by_raise import log_z_by_raise, some_of
from harmonium.likelihood.unnormalised import states_of
from tests import deep, oracle
from tests.likelihood.test_evaluate import far_mode, near_zero, of_far_mode
from tests.models.machines import machine, plain, samples


def estimated(model, v, **options):
    return evaluate(model, torch.as_tensor(v), exact=False, betas=100, sweeps=60, raise_cases=40, **options)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("visible", "hidden"), [("bernoulli", "bernoulli"), ("softmax", "spin"), ("gaussian", "bernoulli")])
def test_it_is_log_z_where_annealing_reaches_the_cases(visible, hidden, seed):
    rbm = machine(visible, hidden, seed=seed)
    found = log_z_by_raise(rbm, torch.tensor(samples(rbm.visible, 60, 1)), betas=400, seed=seed)
    assert (found.cases, found.betas) == (60, 400)
    assert 0 < found.standard_error < 0.1
    assert abs(found.log_z - oracle.log_z(plain(rbm))) < 4 * found.standard_error + 0.01


def test_it_is_a_mean_over_cases_of_what_raise_bounds():
    rbm = machine("bernoulli", "bernoulli", seed=4)
    v = torch.tensor(samples(rbm.visible, 50, 1))
    bound = hm.likelihood.raise_bound(rbm, v, betas=20, chains=1, seed=3)
    each = -oracle.free_energy(plain(rbm), v.numpy()) - bound.log_p.numpy()
    found = log_z_by_raise(rbm, v, betas=20, seed=3)
    assert found.log_z == pytest.approx(each.mean(), abs=1e-9)
    assert found.standard_error == pytest.approx(each.std(ddof=1) / math.sqrt(50), rel=1e-9)
    with pytest.raises(ValueError, match="at least two cases"):
        log_z_by_raise(rbm, v[:1], betas=20)
    some = some_of(torch.arange(9)[:, None], 4, seed=0)[:, 0]
    assert len(set(some.tolist())) == 4
    assert sorted(some_of(torch.arange(3), 9, seed=0).tolist()) == [0, 1, 2]


def test_the_states_that_it_begins_at_are_drawn_from_the_bound_s_own_q():
    """Means over 20,000 draws of the hidden layers that go with one case."""
    dbm, case = deep.dbm("bernoulli", "bernoulli", "bernoulli", seed=1), torch.tensor([[1.0, 0.0, 1.0]]).double()
    generator, many = torch.Generator().manual_seed(0), case.expand(20_000, 3)
    drawn = states_of(dbm, many, generator).mean(0)
    upper = dbm.mean_field(case, sweeps=100).phase.v[0, 3:]
    assert torch.equal(drawn[:3], case[0])
    assert (drawn[3:] - upper).abs().max() < 4 * math.sqrt(0.25 / 20_000)
    below = machine("bernoulli", "bernoulli", seed=1)
    hidden = below.hidden.shape[0]
    top = hm.RBM(hm.Groups(hm.Bernoulli(hidden), hm.Softmax(1, categories=2)), hm.Bernoulli(2), seed=2).double()
    with torch.no_grad():
        top.coupling.weight.normal_(std=2.0, generator=torch.Generator().manual_seed(0))
    drawn = states_of(hm.DBN([below, top], labels=True), many, generator)
    expected = np.zeros(hidden + 2)
    for h in np.ndindex(*[2] * hidden):  # p(h | v) p(label | h)
        p_h = math.prod(p if on else 1 - p for p, on in zip(below.hidden_mean(case)[0].tolist(), h, strict=True))
        energies = [-oracle.free_energy(plain(top), np.array([[*h, *label]], dtype=float))[0] for label in ((1, 0), (0, 1))]
        p_label = np.exp(energies - oracle.logsumexp(np.array(energies)))
        expected += p_h * np.array([*h, *p_label])
    assert np.abs(drawn.mean(0).numpy() - expected).max() < 4 * math.sqrt(0.25 / 20_000)


@pytest.mark.parametrize("labelled", [False, True])
def test_of_a_belief_net_it_is_that_of_the_top_machine(labelled):
    below = machine("bernoulli", "bernoulli", seed=1)
    units = hm.Bernoulli(below.hidden.count.bit_length() - 1)
    top = hm.RBM(hm.Groups(units, hm.Softmax(1, categories=3)) if labelled else units, hm.Bernoulli(4), seed=2).double()
    with torch.no_grad():
        top.coupling.weight.normal_(std=0.7, generator=torch.Generator().manual_seed(0))
    found = estimated(hm.DBN([below, top], labels=labelled), samples(below.visible, 60, 1))
    log_z = hm.likelihood.exact_log_z(top)
    assert abs(found.raised.log_z - log_z) < 4 * found.raised.standard_error + 0.02
    assert 0 < found.raised.standard_error < 0.1


def test_of_a_deep_boltzmann_machine_it_is_that_of_the_whole():
    dbm = deep.dbm("bernoulli", "bernoulli", "bernoulli", seed=1)
    v = torch.tensor(samples(dbm.layers[0], 60, 1))
    found = estimated(dbm, v)
    assert abs(found.raised.log_z - deep.log_z(deep.plain(dbm))) < 4 * found.raised.standard_error + 0.02
    assert found.estimates()[-1].nats == pytest.approx(found.nats + found.log_z - found.raised.log_z)


def test_cases_that_annealing_does_not_reach_make_the_figure_low_and_doubtful():
    """AIS alone has the cases 4.3 nats too probable, and all three estimates agree."""
    rbm, v = far_mode(), np.ones((30, 16))
    truth = -oracle.free_energy(plain(rbm), v).mean() - of_far_mode()
    found = estimated(rbm, v, training=torch.tensor(near_zero(300)))
    assert min(row.nats for row in found.estimates()[:3]) > truth + 4
    assert found.cautious.name == "RAISE, from 30 cases"
    assert found.cautious.nats < truth
    assert found.verdict == "doubtful"
    assert "RAISE, whose chains start at the cases" in found.trust
    assert str(found).startswith(f"log p: {found.cautious.nats:.2f} ±")
    assert "RAISE, from 30 cases" in str(found)


def test_the_figure_to_quote_is_the_lowest():
    rbm = machine("bernoulli", "bernoulli", seed=2, size=1.2)
    found = estimated(rbm, samples(rbm.visible, 30, 1))
    assert len(found.estimates()) == 4
    assert found.cautious.nats == min(row.nats for row in found.estimates())
    assert found.cautious.log_z == max(found.short.log_z, found.long.log_z, found.reverse.log_z, found.raised.log_z)
    assert found.verdict == "consistent"
    exact = evaluate(rbm, torch.tensor(samples(rbm.visible, 30, 1)), raise_cases=10)
    assert (exact.verdict, exact.raised, exact.cautious.nats) == ("exact", None, exact.nats)
    few = evaluate(rbm, torch.tensor(samples(rbm.visible, 30, 1)), exact=False, betas=2, sweeps=1)
    assert (few.verdict, few.raised) == ("doubtful", None)


def test_more_temperatures_make_its_bias_smaller_and_leave_the_others_alone():
    """The bias is about 0.2 nats by 6 temperatures of this machine; the other estimates keep their draws."""
    rbm = machine("bernoulli", "bernoulli", seed=2, size=3.0)
    v, log_z = torch.tensor(samples(rbm.visible, 3000, 1)), hm.likelihood.exact_log_z(rbm)
    few, many = (evaluate(rbm, v, exact=False, betas=100, sweeps=60, raise_cases=3000, raise_betas=betas) for betas in (6, 600))
    assert (few.raised.betas, many.raised.betas) == (6, 600)
    assert (few.short.log_z, few.long.log_z, few.reverse.log_z) == (many.short.log_z, many.long.log_z, many.reverse.log_z)
    assert few.raised.log_z > log_z + 5 * few.raised.standard_error
    assert abs(many.raised.log_z - log_z) < 4 * many.raised.standard_error
    assert estimated(rbm, v).raised.betas == 400


def test_what_it_cannot_take_is_refused():
    rbm = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3))
    with pytest.raises(ValueError, match=r"two chains and two betas, found .* and raise_betas=1"):
        evaluate(rbm, torch.ones(5, 4), exact=False, raise_cases=5, raise_betas=1)
    with pytest.raises(ValueError, match=r"given=\.\.\. and raise_cases"):
        evaluate(rbm, torch.ones(5, 4), given=hm.Given(present=torch.tensor([True, True, True, False])), exact=False, raise_cases=5)
