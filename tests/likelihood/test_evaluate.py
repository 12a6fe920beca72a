"""One call for how good a model is: its figures against the oracle, and its sentence where every estimate is wrong together."""

import math
import re
import sys

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.likelihood import Estimate, evaluate
from harmonium.likelihood.log_z import LogZ
from harmonium.likelihood.log_z_by_raise import RaiseEstimate
from harmonium.likelihood.tempered_samples import Tempered
from harmonium.likelihood.trust import of_each
from tests import oracle
from tests.likelihood.drawn import exact_samples, planted
from tests.models.machines import machine, plain, samples

QUICK = {"betas": 100, "sweeps": 60}
PRAISE = r"trust|reliab|accura|sure|safe|confiden|correct|converged|proves? (?!nothing)|within"


def modest(sentence):
    """Whether a sentence on an estimate speaks of what no estimate shows, and praises nothing."""
    return "a mode that no chain" in sentence and not re.search(PRAISE, sentence, re.IGNORECASE)


def far_mode():
    """16 + 16 binary units, all off, or, with e^4.32 times the probability, all on: no chain that begins near one gets to the other.

    Off, each unit is on with probability e^-6; on, each is off with about that.
    """
    rbm = hm.RBM(hm.Bernoulli(16), hm.Bernoulli(16)).double()
    with torch.no_grad():
        rbm.visible.bias.fill_(-6.1)
        rbm.hidden.bias.fill_(-6.1)
        rbm.coupling.weight.fill_((4.313 + 32 * 6.1) / 256)
    return rbm


def of_far_mode():
    """Its log Z, by how many of each side are on."""
    rbm = far_mode()
    weight = rbm.coupling.weight[0, 0].item()
    k = np.arange(17)
    log_ways = np.array([math.log(math.comb(16, n)) for n in k])
    terms = log_ways[:, None] + log_ways[None] - 6.1 * (k[:, None] + k[None]) + weight * np.outer(k, k)
    return float(oracle.logsumexp(terms))


def near_zero(cases):
    """States of the lesser mode."""
    return (np.random.default_rng(0).random((cases, 16)) < math.exp(-6)).astype(float)


# Exact ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("visible", "hidden"), [("bernoulli", "bernoulli"), ("gaussian", "bernoulli"), ("softmax", "gaussian"), ("gaussian", "gaussian")]
)
def test_exact_where_it_can_be(visible, hidden):
    rbm = machine(visible, hidden, seed=3)
    v = samples(rbm.visible, 40, 1)
    expected = oracle.log_likelihood(plain(rbm), v)
    found = evaluate(rbm, torch.tensor(v))
    assert found.exact
    assert found.nats == pytest.approx(expected.mean(), abs=1e-6)
    assert found.case_error == pytest.approx(expected.std(ddof=1) / math.sqrt(40), rel=1e-6)
    assert found.log_z == pytest.approx(oracle.log_z(plain(rbm)), abs=1e-6)
    assert found.log_z_error == 0
    assert found.trust.startswith("Exact")
    assert "40 cases" in found.trust
    assert found.short is found.long is found.reverse is found.tempered is found.least_log_z is None
    assert [row.name for row in found.estimates()] == ["exact log Z"]
    assert (found.pseudo_likelihood is None) == (visible != "bernoulli")


def test_pseudo_likelihood_and_the_gap():
    rbm = machine("bernoulli", "bernoulli", seed=5, size=1.2)
    draws = exact_samples(rbm, 9000, 0)
    data, training, validation = draws[:6000], draws[6000:6500], draws[6500:]
    found = evaluate(rbm, data)
    expected = np.mean(oracle.pseudo_likelihood(plain(rbm), data.numpy()))
    assert found.gap is None
    mean, error = found.pseudo_likelihood
    assert 0 < error < 0.1
    assert abs(mean - expected) < 3.5 * error
    for held, options in ((data, {}), (validation, {"validation": validation})):
        gap, error = evaluate(rbm, data, training=training, **options).gap
        energies = [oracle.free_energy(plain(rbm), x.numpy()) for x in (training, held)]
        assert gap == pytest.approx(energies[1].mean() - energies[0].mean(), abs=1e-9)
        assert error == pytest.approx(math.hypot(*(e.std(ddof=1) / math.sqrt(len(e)) for e in energies)), rel=1e-9)


# Estimated --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("visible", "hidden"), [("bernoulli", "bernoulli"), ("gaussian", "spin"), ("binomial", "spin")])
def test_every_estimate_is_near_the_truth_on_one_mode(visible, hidden):
    rbm = machine(visible, hidden, seed=2, size=1.2)
    v = samples(rbm.visible, 30, 1)
    log_z, mean = oracle.log_z(plain(rbm)), oracle.log_likelihood(plain(rbm), v).mean()
    found = evaluate(rbm, torch.tensor(v), exact=False, betas=200, sweeps=60)
    assert not found.exact
    for way, row in zip((found.short, found.long, found.reverse), found.estimates(), strict=True):
        assert 0 < way.standard_error < 0.1
        assert abs(way.log_z - log_z) < 4 * way.standard_error
        assert (row.log_z, row.log_z_error, row.ess) == (way.log_z, way.standard_error, way.ess)
        assert row.nats - mean == pytest.approx(log_z - way.log_z, abs=1e-6)
    assert (found.log_z, found.log_z_error) == (found.long.log_z, found.long.standard_error)
    assert found.nats == pytest.approx(found.estimates()[1].nats, abs=1e-12)
    assert len({found.short.log_z, found.long.log_z, found.reverse.log_z}) == 3
    assert modest(found.trust)
    assert found.trust.startswith("Take this figure as optimistic: both lengths of AIS")


def test_what_is_run(monkeypatch):
    """AIS at two lengths, the second four times longer, and reverse AIS over as many from independently drawn chains; the base rates are
    those of the training cases; no two draws share a seed."""
    rbm, seen = machine("bernoulli", "bernoulli", seed=1), []
    module = sys.modules["harmonium.likelihood.log_z"]
    for name in ("ais", "reverse_ais"):
        run = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, run=run, name=name, **k: seen.append((name, a, k)) or run(*a, **k))
    v, training = torch.tensor(samples(rbm.visible, 30, 1)), torch.tensor(samples(rbm.visible, 10, 2))
    found = evaluate(rbm, v, training=training, exact=False, betas=15, chains=40, sweeps=20)
    assert [(name, k["betas"]) for name, _, k in seen] == [("ais", 15), ("ais", 60), ("reverse_ais", 60)]
    assert len({k["seed"] for _, _, k in seen}) == 3
    assert all(torch.equal(k["base_rates"], training.mean(0)) for _, _, k in seen)
    assert torch.equal(seen[2][1][1], found.tempered.v)
    assert len(found.long.log_weights) == len(found.reverse.log_weights) == 40


def test_a_machine_too_large_to_list_is_estimated_unasked():
    rbm = hm.RBM(hm.Bernoulli(40), hm.Bernoulli(30)).double()
    with torch.no_grad():
        rbm.coupling.weight.zero_()
        rbm.visible.bias.fill_(1.0)
    v = torch.tensor(np.random.default_rng(0).random((50, 40)) < 0.6)
    found = evaluate(rbm, v, betas=20, sweeps=20)
    log_z = 40 * math.log1p(math.e) + 30 * math.log(2)
    assert 0 < found.log_z_error < 0.1
    assert abs(found.log_z - log_z) < 4 * found.log_z_error
    assert found.nats == pytest.approx(v.double().sum(1).mean().item() + 30 * math.log(2) - found.log_z, abs=1e-6)
    with pytest.raises(ValueError, match=r"at most 2\^25"):
        evaluate(rbm, v, exact=True)


def test_the_same_seed_gives_the_same_figures_and_float32_works():
    rbm = machine("bernoulli", "bernoulli", seed=1).float()
    v = torch.tensor(samples(rbm.visible, 10, 1), dtype=torch.bool)
    found = [evaluate(rbm, v, exact=False, seed=seed, betas=20, sweeps=20) for seed in (0, 0, 1)]
    assert found[0].trust == found[1].trust
    for name in ("short", "long", "reverse"):
        zero, again, one = (getattr(e, name).log_z for e in found)
        assert zero == again != one


# The sentence -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_agreement_on_what_is_wrong_is_not_trusted(seed, monkeypatch):
    """Mean field would find this mode (tests/likelihood/test_modes.py): it is one that it misses as well, here."""
    monkeypatch.setattr("harmonium.likelihood.log_z.log_z_of_a_mode", lambda *_, **__: None)
    rbm = far_mode()
    log_z, v = of_far_mode(), torch.tensor(near_zero(200))
    assert log_z == pytest.approx(4.40, abs=0.03)
    assert evaluate(rbm, v).log_z == pytest.approx(log_z, abs=1e-6)
    found = evaluate(rbm, v, exact=False, seed=seed, **QUICK)
    for way in (found.short, found.long, found.reverse):
        assert way.log_z == pytest.approx(0.07, abs=0.03)
        assert way.ess > 95
        assert way.standard_error < 0.02
    assert found.tempered.round_trips > 100
    assert found.nats - evaluate(rbm, v).nats > 4.2
    assert modest(found.trust)
    assert "agreement is no evidence about a mode" in found.trust
    assert found.trust.count(".") <= 2  # one sentence, with a number in it


def test_cases_in_the_missed_mode_give_it_away():
    rbm = far_mode()
    v = torch.cat([torch.tensor(near_zero(50)), torch.ones(3, 16, dtype=torch.float64)])
    for options in ({"data": v}, {"data": v[:50], "training": v[40:]}):
        found = evaluate(rbm, exact=False, **options, **QUICK)
        on = oracle.free_energy(plain(rbm), np.ones((1, 16)))[0]
        assert -on < found.least_log_z < of_far_mode()
        assert found.trust.startswith("Do not rely on this figure: it is impossible")
        assert f"at least {found.least_log_z:.2f}" in found.trust
        assert modest(found.trust)


def test_the_least_log_z_counts_each_state_once():
    rbm = machine("bernoulli", "bernoulli", seed=4)
    every = rbm.visible.states(torch.arange(8))
    found = evaluate(rbm, torch.cat([every, every[3:]]), exact=False, **QUICK)
    assert found.least_log_z == pytest.approx(oracle.log_z(plain(rbm)), abs=1e-9)
    assert "impossible" not in found.trust
    real = machine("gaussian", "bernoulli", seed=4)
    assert evaluate(real, torch.tensor(samples(real.visible, 5, 0)), exact=False, **QUICK).least_log_z is None


def test_few_betas_and_sweeps_are_said_plainly():
    rbm = planted(odds=1.0)
    with torch.no_grad():
        rbm.visible.bias += torch.linspace(-4, 4, 10)
        rbm.coupling.weight *= 1.5
    v = torch.zeros(20, 10)
    v[:5] = 1
    found = evaluate(rbm, v, exact=False, betas=2, sweeps=1, chains=30)
    assert found.trust.startswith("Do not rely on this figure")
    assert "effective sample size" in found.trust
    assert "round trip" in found.trust
    assert re.search(r"; use .*more betas.*more sweeps", found.trust)
    assert modest(found.trust)


def estimate(log_z, error=0.01, ess=90.0):
    return Estimate(log_z, error, ess, torch.zeros(100))


def verdict(short=10.0, long=10.0, reverse=10.0, trips=500, least=None, bound=None, raised=None, **long_figures):
    tempered = Tempered(torch.zeros(100, 2), torch.tensor([0.0, 1.0]), torch.tensor([0.5]), trips, 100)
    raised = None if raised is None else RaiseEstimate(raised, 0.05, 100, 400)
    longer = estimate(long, **long_figures)
    one = LogZ(long, 0.01, False, 10, None, estimate(short), longer, estimate(reverse), tempered, raised, least)
    return of_each([one], "cases", 0.1, chains=100, bound=bound)


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({"short": 9.5}, "the longer AIS gives a likelihood 0.50 nats lower than the shorter.*; use more betas,"),
        ({"short": 10.5}, "the longer AIS gives a likelihood 0.50 nats higher than the shorter"),
        ({"reverse": 13.0}, "the second estimate.* gives a likelihood 3.00 nats lower than .*; use more betas and more sweeps,"),
        ({"reverse": 7.0}, "the second estimate.* gives a likelihood 3.00 nats higher"),
        ({"ess": 7.2}, "effective sample size of the longer AIS is only 7 of 100 chains; use more betas,"),
        ({"error": 0.3}, "the standard error of the longer AIS is 0.30 nats; use more chains,"),
        ({"trips": 0}, "the 100 tempered chains made no round trip .*; use more sweeps,"),
        ({"trips": 40}, "made only 40 round trips"),
        ({"least": 10.2}, "impossible, because the distinct cases alone make log Z at least 10.20"),
        ({"long": math.nan}, "nan"),
        ({"reverse": math.inf}, "inf"),
        ({"raised": 11.5}, "RAISE, whose chains start at the cases, gives a likelihood 1.50 nats lower.*; use more betas,"),
        ({"raised": math.nan}, "nan"),
    ],
)
@pytest.mark.parametrize("bound", [None, "top RBM"])
def test_each_disagreement_is_said_with_what_to_do(figures, said, bound):
    sentence = verdict(bound=bound, **figures)
    assert re.search(r"(D|: d)o not rely on this figure: ", sentence)
    assert re.search(said, sentence)
    assert modest(sentence)
    assert sentence.startswith("A lower bound only if log Z of the top RBM") == bool(bound)


@pytest.mark.parametrize(
    "figures", [{}, {"raised": 10.8}, {"raised": 9.0}, {"short": 9.95}, {"reverse": 10.08, "least": 9.0}, {"error": 0.08, "reverse": 10.15}]
)
def test_agreement_is_said_to_prove_nothing_of_modes(figures):
    sentence = verdict(**figures)
    assert "rely" not in sentence
    assert "optimistic" in sentence
    assert modest(sentence)


# Deep belief nets ---------------------------------------------------------------------------------------------------------------


def test_a_deep_belief_net_is_given_its_bound():
    dbn = hm.DBN([machine("bernoulli", "bernoulli", seed=1, size=0.6), machine("bernoulli", "bernoulli", seed=2, size=0.6)])
    v = torch.tensor(samples(dbn.rbms[0].visible, 30, 1))
    log_z = oracle.log_z(plain(dbn.top))
    loose, tight = (hm.likelihood.dbn_bound(dbn, v, log_z=log_z, samples=2000, seed=5, tighten=t) for t in (False, True))
    exact = evaluate(dbn, v, samples=500)
    guess = evaluate(dbn, v, samples=500, exact=False, **QUICK)
    assert [(e.bound, e.exact) for e in (exact, guess)] == [(True, True), (True, False)]
    assert exact.log_z == pytest.approx(log_z, abs=1e-6)
    assert exact.nats == pytest.approx(loose.mean, abs=5 * loose.sample_error * math.sqrt(5))
    assert exact.case_error == pytest.approx(loose.case_error, rel=0.1)
    assert exact.tightened[0] == pytest.approx(tight.mean, abs=0.03)
    assert exact.tightened[0] > exact.nats
    assert exact.trust.startswith("A lower bound in which log Z of the top RBM is exact")
    assert guess.nats + guess.log_z == pytest.approx(exact.nats + log_z, abs=1e-9)
    assert guess.tightened[0] + guess.log_z == pytest.approx(exact.tightened[0] + log_z, abs=1e-9)
    assert abs(guess.log_z - log_z) < 4 * guess.log_z_error
    assert guess.trust.startswith("A lower bound only if log Z of the top RBM is right")
    assert modest(guess.trust)
    assert "bound on log p" in str(guess)
    assert "tightened bound" in str(guess)


def test_the_base_of_a_net_s_top_machine_is_that_of_the_training_cases(monkeypatch):
    dbn = hm.DBN([machine("bernoulli", "bernoulli", seed=1), machine("bernoulli", "bernoulli", seed=2)])
    v, training = (torch.tensor(samples(dbn.rbms[0].visible, cases, cases)) for cases in (7, 9))
    module, seen = sys.modules["harmonium.likelihood.log_z"], []
    run = module.ais
    monkeypatch.setattr(module, "ais", lambda *a, **k: seen.append(k["base_rates"]) or run(*a, **k))
    evaluate(dbn, v, training=training, exact=False, betas=5, sweeps=5)
    assert torch.allclose(seen[0], dbn.up(training).mean(0))


def test_a_net_of_one_machine_is_that_machine():
    rbm = machine("bernoulli", "bernoulli", seed=1)
    v = torch.tensor(samples(rbm.visible, 20, 1))
    net, alone = evaluate(hm.DBN([rbm]), v), evaluate(rbm, v)
    assert not net.bound
    assert net.nats == alone.nats


# Refusals and the table -----------------------------------------------------------------------------------------------------------


def test_refusals():
    rbm = machine("bernoulli", "bernoulli")
    v = torch.zeros(4, 3)
    with pytest.raises(ValueError, match=r"expect 0 or 1, found 0\.5"):
        evaluate(rbm, v + 0.5)
    with pytest.raises(ValueError, match=r"expect 0 or 1, found 0\.5"):
        evaluate(rbm, v, training=v + 0.5)
    with pytest.raises(ValueError, match=r"shape \(cases, 3\), found \(4, 2\)"):
        evaluate(rbm, v[:, :2])
    with pytest.raises(ValueError, match="at least two chains and two betas, found chains=1"):
        evaluate(rbm, v, chains=1)
    with pytest.raises(TypeError, match="an RBM, a deep belief net or a deep Boltzmann machine, found Linear"):
        evaluate(torch.nn.Linear(3, 3), v)
    with pytest.raises(TypeError, match="no joint energy"):
        evaluate(hm.RBM(hm.Gaussian(3), hm.NoisyReLU(2)), v)
    wild = hm.RBM(hm.Gaussian(3), hm.Gaussian(2))
    with torch.no_grad():
        wild.coupling.weight.fill_(5.0)
    for exact in (None, False):
        with pytest.raises(ValueError, match="spectral norm"):
            evaluate(wild, v, exact=exact)


def test_the_table():
    rbm = machine("bernoulli", "bernoulli", seed=1)
    v = torch.tensor(samples(rbm.visible, 50, 1))
    found = evaluate(rbm, v, training=v, exact=False, **QUICK)
    said = str(found)
    assert said.startswith(f"log p: {found.cautious.nats:.2f} ± {found.case_error:.2f} nats per case, over 50 cases")
    for name, way in (("AIS, 100 betas", found.short), ("AIS, 400 betas", found.long), ("second estimate: reverse AIS", found.reverse)):
        nats = found.nats + found.log_z - way.log_z
        figures = [f"{nats:.2f}", f"{found.case_error:.2f}", f"{way.log_z:.2f}", f"{way.standard_error:.2f}", f"{way.ess:.0f}"]
        assert re.search(re.escape(name) + " +" + " +".join(map(re.escape, figures)), said)
    assert re.search(rf"pseudo-likelihood +{found.pseudo_likelihood[0]:.2f}", said)
    assert re.search(r"free-energy gap to training +0.00", said)
    assert f"{found.tempered.round_trips:,} round trips in 60 sweeps" in said
    assert found.trust in said.replace("\n", " ")
    assert max(map(len, said.splitlines())) <= 78
    assert "± ∞ nats per case, over 1 case\n" in str(evaluate(rbm, v[:1]))
