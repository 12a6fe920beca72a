"""Persistent chains that take the documents' lengths, against documents listed word by word."""

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.learning import Positive
from tests import oracle


def machine(seed: int = 0, words: int = 3, hidden: int = 2) -> hm.RBM:
    rbm = hm.RBM(hm.ReplicatedSoftmax(words), hm.Bernoulli(hidden))
    generator = torch.Generator().manual_seed(seed)
    for parameter in rbm.parameters():
        if parameter.requires_grad:
            parameter.data.normal_(generator=generator)
    return rbm


def positive(lengths: list[int]) -> Positive:
    """A batch of documents that are the first word again and again."""
    counts = torch.zeros(len(lengths), 3)
    counts[:, 0] = torch.tensor(lengths, dtype=torch.float32)
    rbm, given = machine(), hm.Given(length=counts.sum(1))
    return Positive(rbm.infer(counts, given), 1 / len(lengths), 1.0, given)


def test_chains_come_to_the_distribution_of_their_length() -> None:
    rbm, rule, chains = machine(), hm.PersistentDocuments(chains=4000, steps=30), 4000
    generator = torch.Generator().manual_seed(1)
    batch = positive([3] * (chains // 2) + [1] * (chains // 2))
    v = rule.particles(rbm, batch, rule.init(rbm, generator), generator=generator)
    assert torch.equal(v.sum(1), batch.given.length)
    for rows, length in ((slice(0, chains // 2), 3), (slice(chains // 2, chains), 1)):
        parts = oracle.Part("words", rbm.visible.bias.detach().double().numpy(), length=length)
        units = oracle.Part("bernoulli", np.zeros(2))
        states, shares = oracle.visible_distribution(oracle.Machine((parts,), (units,), rbm.coupling.weight.detach().double().numpy()))
        expected = shares @ states
        error = np.sqrt((shares @ states**2 - expected**2) / (chains // 2))
        np.testing.assert_array_less(np.abs(v[rows].double().mean(0).numpy() - expected), 4 * error)


def test_the_longest_chain_takes_the_longest_document() -> None:
    rbm, rule = machine(), hm.PersistentDocuments(chains=4)
    slots = {"hidden": torch.zeros(4, 2), "length": torch.tensor([7.0, 1.0, 9.0, 3.0])}
    rule.particles(rbm, positive([2, 30, 20, 5]), slots, generator=torch.Generator().manual_seed(0))
    assert slots["length"].tolist() == [20, 2, 30, 5]
    rule.particles(rbm, positive([40, 1]), slots, generator=torch.Generator().manual_seed(0))  # ranks 0 and 2 of four
    assert slots["length"].tolist() == [40, 1, 30, 5]


def test_a_mode_that_contrastive_divergence_does_not_see_has_particles() -> None:
    """The second word is in no document. A hidden unit that is off in all of them makes long documents of it the likeliest of all."""
    rbm, batch = hm.RBM(hm.ReplicatedSoftmax(3), hm.Bernoulli(2)), positive([20] * 20)
    with torch.no_grad():
        rbm.visible.bias.copy_(torch.tensor([2.0, -4.0, 0.0]))
        rbm.coupling.weight.copy_(torch.tensor([[-4.0, 0.0], [8.0, 0.0], [-4.0, 0.0], [0.0, 0.0]]))

    def share_of_the_second_word(rule: hm.Rule) -> float:
        generator = torch.Generator().manual_seed(0)
        slots = rule.init(rbm, generator)
        for _ in range(5):
            v = rule.particles(rbm, Positive(rbm.infer(batch.phase.v), *batch[1:]), slots, generator=generator)
        return (v[:, 1].sum() / v.sum()).item()

    assert share_of_the_second_word(hm.ContrastiveDivergence()) < 0.01
    assert share_of_the_second_word(hm.PersistentDocuments(chains=20)) > 0.2


def test_what_cannot_be_is_said() -> None:
    for chains, steps in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="at least one chain and one step"):
            hm.PersistentDocuments(chains, steps)
    with pytest.raises(ValueError, match=r"chains of a replicated softmax.*use hm\.PersistentCD"):
        hm.fit(hm.RBM(4, 3), torch.eye(4), negative=hm.PersistentDocuments(4), epochs=1, progress=False)
    rbm = machine()
    with pytest.raises(ValueError, match="a batch of 3 documents needs as many chains, found chains=2"):
        hm.fit(rbm, torch.ones(3, 3), negative=hm.PersistentDocuments(2), epochs=1, progress=False)
