"""Decoding against every string of phones with every path, the bigram against counting, errors against another library's alignment."""

import itertools
import math

import numpy as np
import pytest
import torch

from harmonium.sequence import PhoneErrors, PhoneHMM, bigram, decode, phone_errors, scaled_log_likelihoods, state_log_priors
from tests.sequence.every_path import paths

PHONES = ("sil", "a", "b")


@pytest.mark.parametrize(("states", "frames"), [(1, 5), (2, 6)])
@pytest.mark.parametrize(("weight", "penalty"), [(1.0, 0.0), (2.5, -0.7), (0.4, 1.3)])
def test_the_best_of_all_strings_is_found(states, frames, weight, penalty):
    draw = torch.Generator().manual_seed(3)
    loops = torch.rand(3, states, dtype=torch.float64, generator=draw) * 0.8 + 0.1
    hmm = PhoneHMM(PHONES, loops, silence="sil")
    language = bigram([["sil", "a", "b", "sil"], ["a", "b", "b"]], PHONES)
    scores = [2 * torch.randn(length, hmm.count, dtype=torch.float64, generator=draw) for length in (frames, frames - 2, frames - 1)]
    for utterance, found in zip(scores, decode(hmm, scores, language, weight=weight, penalty=penalty), strict=True):
        every = []
        for count in range(1, len(utterance) // states + 1):
            for string in itertools.product(range(3), repeat=count):
                between = sum(language.between[a, b].item() for a, b in itertools.pairwise(string))
                words = (language.start[string[0]] + language.end[string[-1]]).item() + between
                extra = weight * words - penalty * count
                every += [(total + extra, string, way) for total, way in paths(string, utterance.numpy(), loops.numpy())]
        best, string, way = max(every)
        assert found.score == pytest.approx(best, abs=1e-10)
        assert found.phones == [PHONES[phone] for phone in string]
        assert found.states.tolist() == way


def test_a_larger_penalty_finds_fewer_phones():
    draw = torch.Generator().manual_seed(0)
    hmm = PhoneHMM.alike(PHONES, states=2)
    scores, language = [torch.randn(60, 6, generator=draw)], bigram([["a", "b"]], PHONES)
    counts = [len(decode(hmm, scores, language, penalty=penalty)[0].phones) for penalty in (-5.0, 0.0, 5.0)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[2]


def test_the_bigram_is_counted_and_smoothed_as_witten_and_bell_have_it():
    texts = [["a", "b", "a"], ["b", "b"], ["a"]]
    model = bigram(texts, ["a", "b", "c"])
    padded = [["<", *text, ">"] for text in texts]
    outcomes = [each for text in padded for each in text[1:]]
    pairs = [pair for text in padded for pair in itertools.pairwise(text)]
    for one, row, end in (("<", model.start, None), *zip("abc", model.between, model.end, strict=True)):
        after = [b for a, b in pairs if a == one]
        kinds = max(len(set(after)), 1)
        expected = {b: (after.count(b) + kinds * (outcomes.count(b) + 1) / (len(outcomes) + 4)) / (len(after) + kinds) for b in "abc>"}
        assert sum(expected.values()) == pytest.approx(1)
        np.testing.assert_allclose(row.exp(), [expected[b] for b in "abc"], atol=1e-12)
        if end is not None:
            assert end.exp().item() == pytest.approx(expected[">"])


def fewest_edits(one, other):
    """By recursion over every choice."""
    if not one or not other:
        return len(one) + len(other)
    return min(fewest_edits(one[1:], other[1:]) + (one[0] != other[0]), fewest_edits(one[1:], other) + 1, fewest_edits(one, other[1:]) + 1)


def test_errors_are_the_fewest_edits():
    draw = np.random.default_rng(0)
    said = [list(draw.choice(["aa", "b", "c"], size=draw.integers(1, 6))) for _ in range(40)]
    found = [list(draw.choice(["aa", "b", "c"], size=draw.integers(0, 6))) for _ in range(40)]
    for one, other, counted in zip(said, found, phone_errors(said, found), strict=True):
        assert counted.errors == fewest_edits(one, other)
        assert counted.phones == len(one)
        assert counted.insertions - counted.deletions == len(other) - len(one)
    assert phone_errors([["a", "b"]], [["a", "c"]]) == [PhoneErrors(1, 0, 0, 2)]
    with pytest.raises(ValueError, match="some phone at least"):
        phone_errors([[]], [["a"]])


def test_scaled_likelihoods_are_bayes_rule():
    """Of three states with known densities: posterior over prior is the likelihood but for p(frame)."""
    draw = np.random.default_rng(1)
    prior, means = np.array([0.6, 0.3, 0.1]), np.array([-1.0, 0.5, 2.0])
    x = draw.normal(size=20)
    density = np.exp(-0.5 * (x[:, None] - means) ** 2)
    joint = density * prior
    posterior = joint / joint.sum(1, keepdims=True)
    scaled = scaled_log_likelihoods(torch.from_numpy(np.log(posterior) + draw.normal(size=(20, 1))), torch.from_numpy(np.log(prior)))
    ratio = scaled.numpy() - np.log(density)
    np.testing.assert_allclose(ratio, ratio[:, :1].repeat(3, 1), atol=1e-12)


def test_priors_are_counted():
    found = state_log_priors([torch.tensor([0, 2, 2]), torch.tensor([2])], 4).exp()
    assert found.tolist() == pytest.approx([2 / 8, 1 / 8, 4 / 8, 1 / 8])
    assert math.isclose(found.sum().item(), 1, rel_tol=1e-6)
