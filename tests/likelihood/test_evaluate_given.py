"""Cases that differ in what log Z depends on: lengths, masks and contexts, each with its own log Z, against the oracle."""

import math
import re

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.likelihood import Estimate, evaluate
from harmonium.likelihood.log_z import LogZ
from harmonium.likelihood.tempered_samples import Tempered
from harmonium.likelihood.trust import of_each
from harmonium.units import Given
from tests import oracle
from tests.likelihood.test_evaluate import QUICK, modest
from tests.models.machines import machine, plain, samples


def documents(categories, lengths, seed=0):
    """Counts of words, (cases, categories) float64."""
    draw = np.random.default_rng(seed)
    return np.stack([draw.multinomial(n, np.ones(categories) / categories) for n in lengths]).astype(float)


def of_documents(rbm, v):
    """log p of each document's sequence of words, by listing all sequences of its length."""
    return np.array([oracle.log_likelihood(plain(rbm, words=int(row.sum())), row[None])[0] for row in v])


def conditional(seed=4):
    """A machine whose biases depend on two numbers."""
    rbm = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3), hm.Conditional(hm.Dense(4, 3), 2)).double()
    with torch.no_grad():
        for parameter in rbm.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))
    return rbm


def of_contexts(rbm, v, contexts):
    """log p(v | context) of each case, by listing the visible states."""
    every = rbm.visible.states(torch.arange(16))
    each = [-rbm.free_energy(torch.cat([x[None], every]), Given(context=c.expand(17, 2))) for x, c in zip(v, contexts, strict=True)]
    return torch.stack([one[0] - one[1:].logsumexp(0) for one in each]).detach()


# Shared by all ------------------------------------------------------------------------------------------------------------------


def test_a_mask_that_all_cases_share():
    rbm, present = machine("bernoulli", "bernoulli", seed=8, size=1.2), np.array([True, False, True])
    small = oracle.without(plain(rbm), present)
    v = np.array([[0, math.nan, 1], [1, math.nan, 1], [0, math.nan, 0]] * 5)
    expected = oracle.log_likelihood(small, v[:, present]).mean()
    given = Given(present=torch.tensor(present))
    exact, guess = (evaluate(rbm, torch.tensor(v), training=torch.tensor(v), given=given, exact=e, **QUICK) for e in (True, False))
    assert exact.nats == pytest.approx(expected, abs=1e-9)
    assert abs(guess.nats - expected) < 4 * guess.log_z_error
    assert exact.gap[0] == 0
    assert guess.least_log_z < oracle.log_z(small)
    a_row_each = evaluate(rbm, torch.tensor(v), given=Given(present=torch.tensor(present).expand(15, 3)))
    assert a_row_each.nats == pytest.approx(expected, abs=1e-9)
    assert len(a_row_each.each) == 1


def test_documents_of_one_length():
    rbm = machine("replicated", "bernoulli", seed=2, size=1.2)
    v = samples(rbm.visible, 20, 0)
    expected = oracle.log_likelihood(plain(rbm), v).mean()
    exact = evaluate(rbm, torch.tensor(v))
    assert exact.nats == pytest.approx(expected, abs=1e-6)
    assert exact.perplexity == pytest.approx(math.exp(-expected / 3), rel=1e-6)
    guess = evaluate(rbm, torch.tensor(v), exact=False, **QUICK)
    assert abs(guess.nats - expected) < 4 * guess.log_z_error
    with pytest.raises(ValueError, match=r"expected documents of 4 words, found lengths from 3 to 3"):
        evaluate(rbm, torch.tensor(v), given=Given(length=torch.tensor(4.0)))


def test_a_context_that_all_cases_share():
    rbm = conditional()
    given, v = Given(context=torch.tensor([0.5, 2.0], dtype=torch.float64)), rbm.visible.states(torch.arange(16))
    exact, guess = (evaluate(rbm, v, given=given, exact=e, **QUICK) for e in (None, False))
    assert exact.nats == pytest.approx(of_contexts(rbm, v, given.context.expand(16, 2)).mean().item(), abs=1e-9)
    assert abs(guess.nats - exact.nats) < 4 * guess.log_z_error


# One for each of several ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["replicated", "replicated_bernoulli"])
def test_documents_of_several_lengths_are_pooled(kind):
    rbm = machine(kind, "bernoulli", seed=2, size=1.2)
    lengths = [5, 1, 3, 3, 2, 5, 3, 1]
    v = documents(3 if kind == "replicated" else 2, lengths)
    if kind == "replicated_bernoulli":
        v = np.concatenate([v, np.random.default_rng(1).integers(0, 2, size=(8, 2))], axis=1)
        expected = np.array([oracle.log_likelihood(plain(rbm, words=n), row[None])[0] for row, n in zip(v, lengths, strict=True)])
    else:
        expected = of_documents(rbm, v)
    log_z = {n: oracle.log_z(plain(rbm, words=n)) for n in lengths}
    exact = evaluate(rbm, torch.tensor(v))
    assert exact.exact
    assert exact.nats == pytest.approx(expected.mean(), abs=1e-6)
    assert exact.case_error == pytest.approx(expected.std(ddof=1) / math.sqrt(8), rel=1e-6)
    assert exact.log_z == pytest.approx(np.mean([log_z[n] for n in lengths]), abs=1e-6)
    assert exact.what == "lengths"
    assert [(one.given.length.item(), one.cases) for one in exact.each] == [(1, 2), (2, 1), (3, 3), (5, 2)]
    assert [one.log_z for one in exact.each] == pytest.approx([log_z[n] for n in (1, 2, 3, 5)], abs=1e-6)
    per_word = math.exp(-expected.sum() / sum(lengths))
    assert exact.perplexity == (pytest.approx(per_word, rel=1e-6) if kind == "replicated" else None)

    guess = evaluate(rbm, torch.tensor(v), exact=False, **QUICK)
    assert not guess.exact
    assert 0 < guess.log_z_error < 0.1
    assert abs(guess.nats - expected.mean()) < 4 * guess.log_z_error
    for name, row in zip(("short", "long", "reverse"), guess.estimates(), strict=True):
        way, ways = getattr(guess, name), [getattr(one, name) for one in guess.each]
        assert way.log_z == pytest.approx(np.average([w.log_z for w in ways], weights=[2, 1, 3, 2]), abs=1e-9)
        assert way.standard_error == pytest.approx(math.hypot(*np.array([2, 1, 3, 2]) / 8 * [w.standard_error for w in ways]), rel=1e-9)
        assert abs(row.nats - expected.mean()) < 4 * way.standard_error
        assert way.ess == min(w.ess for w in ways)
        assert len({w.log_z for w in ways}) == 4
    assert modest(guess.trust)
    assert "for each of the 4 lengths" in guess.trust
    assert "4 lengths, each with its own log Z, 0 of them exact" in str(guess)


def test_a_mask_for_each_case():
    rbm = machine("bernoulli", "bernoulli", seed=8, size=1.2)
    draw = np.random.default_rng(3)
    present = np.array([[True, True, True], [True, False, True], [False, True, False]])[draw.integers(0, 3, size=30)]
    v = np.where(present, draw.integers(0, 2, size=(30, 3)), math.nan)
    each = [oracle.log_likelihood(oracle.without(plain(rbm), mask), x[mask][None])[0] for x, mask in zip(v, present, strict=True)]
    given = Given(present=torch.tensor(present))
    exact, guess = (evaluate(rbm, torch.tensor(v), given=given, exact=e, **QUICK) for e in (None, False))
    assert exact.what == "masks"
    assert exact.nats == pytest.approx(np.mean(each), abs=1e-9)
    assert exact.case_error == pytest.approx(np.std(each, ddof=1) / math.sqrt(30), rel=1e-9)
    assert abs(guess.nats - np.mean(each)) < 4 * guess.log_z_error
    for one in guess.each:
        assert one.least < oracle.log_z(oracle.without(plain(rbm), one.given.present.numpy())) + 1e-9


def test_a_context_for_each_case():
    rbm, v = conditional(), torch.tensor(np.random.default_rng(0).integers(0, 2, size=(40, 4)), dtype=torch.float64)
    contexts = torch.randn(40, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    contexts[20:] = contexts[0]
    expected = of_contexts(rbm, v, contexts)
    found = evaluate(rbm, v, given=Given(context=contexts))
    assert found.nats == pytest.approx(expected.mean().item(), abs=1e-9)
    assert sorted(one.cases for one in found.each) == [1] * 19 + [21]
    assert evaluate(rbm, v, given=Given(context=contexts.float())).nats == pytest.approx(found.nats, abs=1e-5)
    few = slice(18, 22)
    guess = evaluate(rbm, v[few], given=Given(context=contexts[few]), exact=False, **QUICK)
    assert guess.what == "contexts"
    assert abs(guess.nats - expected[few].mean().item()) < 4 * guess.log_z_error


def test_hundreds_of_lengths():
    rbm = hm.RBM(hm.ReplicatedSoftmax(30), hm.Bernoulli(3), seed=1)
    with torch.no_grad():
        rbm.coupling.weight.normal_(std=0.3, generator=torch.Generator().manual_seed(1))
    v = documents(30, [*range(1, 301), 40, 40])
    found = evaluate(rbm, torch.tensor(v, dtype=torch.int64))
    assert len(found.each) == 300
    weight, bias = rbm.coupling.weight.detach().double().numpy(), rbm.visible.bias.detach().double().numpy()
    h = np.array([[number >> place & 1 for place in range(3)] for number in range(8)])
    up = h @ weight.T  # (8, words and their number)
    log_z = [oracle.logsumexp(n * (np.logaddexp.reduce(bias + up[:, :-1], axis=1) + up[:, -1])) for n in v.sum(1)]
    free = v @ bias + np.logaddexp(0, np.concatenate([v, v.sum(1, keepdims=True)], axis=1) @ weight).sum(1)
    assert found.nats == pytest.approx((free - log_z).mean(), abs=1e-3)
    assert found.perplexity == pytest.approx(math.exp(-(free - log_z).sum() / v.sum()), rel=1e-5)


def test_a_net_s_top_machine_has_one_log_z_for_all_lengths():
    dbn = hm.DBN([machine("replicated", "bernoulli", seed=1, size=0.6), machine("bernoulli", "bernoulli", seed=2, size=0.6)])
    v = torch.tensor(documents(3, [3, 5, 4, 4]))
    found = evaluate(dbn, v, samples=500)
    bound = hm.likelihood.dbn_bound(dbn, v, log_z=oracle.log_z(plain(dbn.top)), samples=5000, seed=3)
    assert len(found.each) == 1
    assert found.nats == pytest.approx(bound.mean, abs=5 * bound.sample_error * math.sqrt(11))
    assert found.perplexity == pytest.approx(math.exp(-4 * found.nats / 16), rel=1e-9)


# What goes with them ----------------------------------------------------------------------------------------------------------------


def test_training_documents_may_have_other_lengths():
    """They are what the base is made of; free energies are compared only where log Z cancels."""
    rbm = machine("replicated", "bernoulli", seed=2, size=1.2)
    v, same, other = (torch.tensor(documents(3, lengths, seed=1)) for lengths in ([3] * 6, [3] * 9, [3, 4, 5]))
    assert evaluate(rbm, v, training=other).gap is None
    gap = evaluate(rbm, v, training=same).gap[0]
    expected = oracle.log_likelihood(plain(rbm), same.numpy()).mean() - oracle.log_likelihood(plain(rbm), v.numpy()).mean()
    assert gap == pytest.approx(expected, abs=1e-6)
    assert evaluate(rbm, other, training=same).gap is None


def test_what_is_in_doubt_among_several_is_said():
    def estimated(cases, log_z, short=0.0, trips=500, least=None):
        ways = [Estimate(log_z + rise, 0.01, 90.0, torch.zeros(100)) for rise in (short, 0.0, 0.02)]
        tempered = Tempered(torch.zeros(100, 2), torch.tensor([0.0, 1.0]), torch.tensor([0.5]), trips, 100)
        return LogZ(log_z, 0.01, False, cases, None, *ways, tempered, None, least)

    def said(*each):
        return of_each(each, "lengths", 0.1, chains=100, bound=None)

    exact = LogZ(1.0, 0.0, True, 10)
    sound, short, stuck = estimated(15, 5.0), estimated(5, 7.0, short=-0.5), estimated(20, 9.0, trips=3)
    assert "agree to 0.02 nats for each of the 2 lengths for which log Z is estimated" in said(exact, sound, sound)
    assert said(exact, exact).startswith("Exact")
    one = said(exact, sound, short, stuck)
    assert one.startswith(
        "Do not rely on this figure: log Z is doubtful for 2 of 4 lengths, which belong to 50% of the cases; "
        "for the one of these with the most cases, "
    )
    assert "made only 3 round trips" in one
    assert re.search("use more (betas and more sweeps|sweeps and more betas)", one)
    assert "gives a likelihood" not in one
    assert "impossible" in said(sound, estimated(1, 5.0, least=6.0))
    for sentence in (one, said(sound, exact)):
        assert modest(sentence)


def test_refusals(monkeypatch):
    rbm, v = conditional(), torch.zeros(5, 4, dtype=torch.float64)
    contexts = torch.arange(10.0).reshape(5, 2)
    with pytest.raises(ValueError, match=r"given.context must be that of one case, .* each of 5 cases, found shape \(4, 2\)"):
        evaluate(rbm, v, given=Given(context=contexts[:4]))
    with pytest.raises(ValueError, match="training and validation cases are compared where all cases share"):
        evaluate(rbm, v, training=v, given=Given(context=contexts))
    monkeypatch.setattr("harmonium.likelihood.log_z.MOST", 4)
    with pytest.raises(ValueError, match="for each of 5 contexts, and evaluate takes at most 4"):
        evaluate(rbm, v, given=Given(context=contexts), exact=False, **QUICK)
    assert len(evaluate(rbm, v, given=Given(context=contexts)).each) == 5
    with pytest.raises(ValueError, match="evaluate takes whole cases"):
        evaluate(machine("bernoulli", "bernoulli"), torch.zeros(4, 3), given=Given(missing=torch.ones(3)))
    words = machine("replicated", "bernoulli")
    with pytest.raises(ValueError, match="documents of the lengths given, found lengths from 2 to 2"):
        evaluate(words, torch.tensor([[1, 1, 0], [3, 0, 0]]), given=Given(length=torch.tensor([4, 3])))
