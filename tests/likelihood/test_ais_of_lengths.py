"""log Z at several lengths from one run, against documents listed word by word."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.likelihood.ais_of_lengths import _path, _resampled
from tests import oracle

LENGTHS = (1, 2, 5, 7)


def machine(hidden: hm.Unit, seed: int = 0, scale: float = 0.8) -> hm.RBM:
    rbm = hm.RBM(hm.ReplicatedSoftmax(3), hidden)
    generator = torch.Generator().manual_seed(seed)
    for parameter in rbm.parameters():
        if parameter.requires_grad:
            parameter.data.normal_(std=scale, generator=generator)
    return rbm


def listed(rbm: hm.RBM, length: int) -> float:
    """By all 3^length sequences of words, times all hidden states."""
    words = oracle.Part("words", rbm.visible.bias.detach().double().numpy(), length=length)
    units = oracle.Part("bernoulli", np.zeros(rbm.hidden.shape[0]))
    return oracle.log_z(oracle.Machine((words,), (units,), rbm.coupling.weight.detach().double().numpy()))


@pytest.mark.parametrize("growth", [0.02, 3.0])  # by a word at a time, and so coarse that weights vary
def test_every_length_is_unbiased_however_coarse_the_path(growth: float) -> None:
    rbm = machine(hm.Bernoulli(4))
    found = hm.likelihood.ais_of_lengths(rbm, LENGTHS, populations=400, chains=10, growth=growth, seed=1)
    for length, one in zip(LENGTHS, found, strict=True):
        weights = np.exp(one.log_weights.numpy() + 4 * math.log(2) - listed(rbm, length))
        assert weights.mean() == pytest.approx(1, abs=4 * weights.std(ddof=1) / math.sqrt(400))
        assert one.log_z == pytest.approx(math.log(weights.mean()) + listed(rbm, length), abs=1e-9)
        assert weights.std(ddof=1) / math.sqrt(400) < 0.05


def test_long_documents_whose_chains_hardly_move() -> None:
    rbm = machine(hm.Bernoulli(8), seed=2, scale=1.2)
    lengths = [300, 10, 1000]
    found = hm.likelihood.ais_of_lengths(rbm, lengths, seed=0)
    for length, one in zip(lengths, found, strict=True):
        h = torch.tensor(np.array(np.meshgrid(*[[0.0, 1.0]] * 8)).reshape(8, -1).T)
        weight, bias = rbm.coupling.weight.detach().double(), rbm.visible.bias.detach().double()
        exact = (length * ((h @ weight[:3].T + bias).logsumexp(1) + h @ weight[3])).logsumexp(0).item()
        assert one.log_z == pytest.approx(exact, abs=max(4 * one.standard_error, 1e-6))
        assert one.standard_error < 0.3


def test_other_hidden_units() -> None:
    rbm = machine(hm.Binomial(2, copies=3), scale=0.4)
    (found,) = hm.likelihood.ais_of_lengths(rbm, [6], populations=50)
    exact = hm.likelihood.exact_log_z(rbm, given=hm.Given(length=torch.tensor(6)))
    assert found.log_z == pytest.approx(exact, abs=4 * found.standard_error)


def test_the_same_seed_has_the_same_draws_and_other_lengths_do_not_change_a_length() -> None:
    rbm = machine(hm.Bernoulli(4))
    one, other = (hm.likelihood.ais_of_lengths(rbm, [5, 3], seed=3) for _ in range(2))
    assert [each.log_z for each in one] == [each.log_z for each in other]
    (alone,) = hm.likelihood.ais_of_lengths(rbm, torch.tensor([5]), seed=3)
    assert alone.log_z == one[0].log_z
    assert hm.likelihood.ais_of_lengths(rbm, [5], seed=4)[0].log_z != alone.log_z


def test_resampling_copies_chains_by_their_weights() -> None:
    log_weights = torch.tensor([[0.0, 0.0, 0.0, 0.0], [math.log(1.0), math.log(96.0), math.log(2.0), math.log(1.0)]]).double()
    after, kept = _resampled(log_weights, torch.Generator().manual_seed(0))
    assert kept[0].tolist() == [0, 1, 2, 3]  # as many effective chains as there are
    assert after[0].tolist() == [0.0] * 4
    assert (kept[1] == 1).sum() >= 3
    assert after[1].tolist() == pytest.approx([math.log(25)] * 4)


def test_the_path_passes_every_short_length() -> None:
    path = _path(1000, 0.1)
    assert path[:12] == list(range(12))
    assert path[-1] == 1000
    assert max(after / before for before, after in pairwise(path[20:])) <= 1.1


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(TypeError, match="takes a machine of documents"):
        hm.likelihood.ais_of_lengths(hm.RBM(4, 3), [3])
    rbm = machine(hm.Bernoulli(4))
    for lengths in ([], [0, 3], [1.5]):
        with pytest.raises(ValueError, match="whole numbers of words above zero"):
            hm.likelihood.ais_of_lengths(rbm, lengths)
    with pytest.raises(ValueError, match="two populations"):
        hm.likelihood.ais_of_lengths(rbm, [3], populations=1)
    with pytest.raises(ValueError, match="growth above zero"):
        hm.likelihood.ais_of_lengths(rbm, [3], growth=0)
