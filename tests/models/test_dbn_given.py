"""Stacks whose lowest layer, or every layer, depends on what is given of each case."""

import pytest
import torch

import harmonium as hm
from harmonium.learning import features
from harmonium.units import Given

SMALL = {"epochs": 2, "batch_size": 16}


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def bits(*shape, seed=0):
    return (torch.rand(shape, generator=generator(seed)) < 0.5).float()


def test_a_stack_on_documents_of_many_lengths():
    lengths = torch.randint(3, 20, (60,), generator=generator())
    words = torch.stack([torch.bincount(torch.randint(8, (int(n),), generator=generator(int(n))), minlength=8) for n in lengths]).float()
    dbn = hm.greedy(words, [hm.ReplicatedSoftmax(8), hm.Bernoulli(6), hm.Bernoulli(4)], **SMALL)
    h = dbn.up(words)
    assert torch.equal(h, features(words, dbn.rbms[0]))
    shown = dbn.generate(60, steps=3, generator=generator(), given=Given(length=lengths))
    assert torch.allclose(shown.sum(1), lengths.float(), rtol=1e-5)


def test_contexts_reach_every_layer_that_asks_for_one():
    v, context = bits(50, 6), torch.randn(50, 3, generator=generator(3))
    couplings = [hm.Conditional(hm.Dense(6, 5, scale=0.5), 3), hm.Conditional(hm.Dense(5, 4, scale=0.5), 3)]
    given = Given(context=context)
    dbn = hm.greedy(v, [hm.Bernoulli(6), hm.Bernoulli(5), hm.Bernoulli(4)], couplings=couplings, given=given, **SMALL)
    first = dbn.rbms[0]
    assert torch.equal(dbn.up(v, given=given), first.hidden_mean(v, given))
    h = bits(50, 5, seed=4)
    assert torch.equal(dbn.down(h, given=given), first.visible_mean(h, given))
    assert dbn.generate(50, steps=2, generator=generator(), given=given).shape == (50, 6)
    with pytest.raises(ValueError, match="context"):
        dbn.up(v)


def test_absent_and_missing_values_below_a_stack():
    v, mask = bits(50, 6), bits(50, 6, seed=5).bool()
    layers = [hm.Bernoulli(6), hm.Bernoulli(5), hm.Bernoulli(4)]
    holed = torch.where(mask, v, torch.nan)
    given = Given(present=mask)
    dbn = hm.greedy(holed, layers, given=given, **SMALL)
    assert torch.equal(dbn.up(holed, given=given), dbn.rbms[0].hidden_mean(holed, given))
    assert torch.isfinite(features(holed, *dbn.rbms, given=given)).all()
    latent = hm.greedy(holed, [hm.Bernoulli(6), hm.Bernoulli(5), hm.Bernoulli(4)], given=Given(missing=~mask), **SMALL)
    found = features(holed, *latent.rbms, given=Given(missing=~mask))
    assert torch.isfinite(found).all()
    assert torch.equal(found, features(holed, *latent.rbms, given=Given(missing=~mask)))
    with pytest.raises(ValueError, match="indexed by case number"):
        features(iter([holed]), latent.rbms[0], given=given)


def test_a_sparsity_target_with_contexts_pulls_the_activity():
    v, context = bits(200, 6), torch.randn(200, 3, generator=generator(3))
    rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(5), hm.Conditional(hm.Dense(6, 5), 3))
    given = Given(context=context)
    hm.fit(rbm, v, given=given, sparsity=hm.Sparsity(0.1, cost=1.0), epochs=60, batch_size=50)
    assert rbm.hidden_mean(v, given).mean().item() == pytest.approx(0.1, abs=0.05)
