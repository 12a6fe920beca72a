"""Forward-backward and Viterbi against every path, written out, and against hmmlearn."""

import math

import numpy as np
import pytest
import torch

from harmonium.sequence import PhoneHMM, align, forward_backward, viterbi
from harmonium.sequence.chains import of_best_path
from tests.sequence.every_path import MARK, paths, strings

PHONES = ("sil", "a", "b")
TRANSCRIPTS = [[MARK, 1, MARK, 2, MARK], [1, 2], [MARK, 1, 1], [2]]


def model(states: int, seed: int = 0) -> PhoneHMM:
    loops = torch.rand(3, states, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 0.8 + 0.1
    return PhoneHMM(PHONES, loops, silence="sil", pause=0.3)


def named(transcript):
    return ["|" if phone is MARK else PHONES[phone] for phone in transcript]


def scored(frames: int, states: int, seed: int) -> torch.Tensor:
    return 2 * torch.randn(frames, 3 * states, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("states", [1, 2])
def test_sums_posteriors_and_best_paths_are_those_of_all_paths(states):
    hmm = model(states)
    lengths = [8, 6, 7, 2]  # a batch with utterances that end earlier
    scores = torch.zeros(4, 8, hmm.count, dtype=torch.float64)
    for row, length in enumerate(lengths):
        scores[row, :length] = scored(length, states, row)
    chains = hmm.chains([named(each) for each in TRANSCRIPTS])
    soft = forward_backward(chains, scores, torch.tensor(lengths))
    best, nodes = viterbi(chains, scores, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        every = [
            (total + pauses, way)
            for string, pauses in strings(TRANSCRIPTS[row], 0, hmm.pause)
            for total, way in paths(string, scores[row, :length].numpy(), hmm.loops.numpy())
        ]
        totals = np.array([total for total, _ in every])
        log_z = np.logaddexp.reduce(totals)
        assert soft.log_likelihood[row].item() == pytest.approx(log_z, abs=1e-10)
        assert best[row].item() == pytest.approx(totals.max(), abs=1e-10)
        assert chains.states[row][nodes[row, :length]].tolist() == every[int(totals.argmax())][1]
        occupancy = np.zeros((length, hmm.count))
        for total, way in every:
            occupancy[np.arange(length), way] += math.exp(total - log_z)
        by_state = torch.zeros(8, hmm.count, dtype=torch.float64).index_add_(1, chains.states[row], soft.occupancy[row])
        np.testing.assert_allclose(by_state[:length], occupancy, atol=1e-10)
        assert not by_state[length:].any()


def test_expected_loops_are_the_derivatives_of_the_log_likelihood():
    """d log p / d log loop = E[loops] - loop / (1 - loop) E[leavings]: an identity that shares nothing with the backward pass."""
    hmm, scores = model(2), scored(9, 2, 5)[None]
    loops = hmm.loops.clone().requires_grad_()
    chains = PhoneHMM(PHONES, hmm.loops, "sil", 0.3).chains([["|", "a", "b", "|"]])
    found = forward_backward(chains, scores, torch.tensor([9]))
    numeric = torch.zeros(6, dtype=torch.float64)
    for state in range(6):
        moved = [hmm.loops.flatten().clone() for _ in range(2)]
        for each, sign in zip(moved, (1, -1), strict=True):
            each[state] *= math.exp(sign * 1e-5)
        ends = [
            forward_backward(PhoneHMM(PHONES, each.view(3, 2), "sil", 0.3).chains([["|", "a", "b", "|"]]), scores, torch.tensor([9]))
            for each in moved
        ]
        numeric[state] = (ends[0].log_likelihood - ends[1].log_likelihood).item() / 2e-5
    occupied = torch.zeros(6, dtype=torch.float64).index_add_(0, chains.states[0], found.occupancy[0].sum(0))
    stayed = torch.zeros(6, dtype=torch.float64).index_add_(0, chains.states[0], found.loops[0])
    probability = loops.detach().flatten()
    torch.testing.assert_close(numeric, stayed - probability / (1 - probability) * (occupied - stayed), atol=1e-8, rtol=0)


def test_a_chain_of_single_states_is_hmmlearns():
    hmmlearn = pytest.importorskip("hmmlearn.hmm", reason="hmmlearn is not installed")
    hmm = model(1, seed=4)
    transcript, frames = ["a", "sil", "b"], 12
    means, x = np.array([[0.0], [2.0], [-1.0]]), np.random.default_rng(0).normal(size=(frames, 1))
    order = [1, 0, 2]
    stay = hmm.loops.flatten().numpy()[order]
    other = hmmlearn.GaussianHMM(3, covariance_type="diag")
    other.startprob_ = np.array([1.0, 0.0, 0.0])
    other.transmat_ = np.array([[stay[0], 1 - stay[0], 0], [0, stay[1], 1 - stay[1]], [0, 0, 1.0]])
    other.means_, other.covars_ = means[order], np.ones((3, 1))
    scores = torch.from_numpy(-0.5 * (x - means.T) ** 2 - 0.5 * math.log(2 * math.pi))
    # hmmlearn's last state need not be reached, and has no way out: a score forbids all else at the end, and here it is hardly ever left
    scores[-1, :2] -= 1e3
    frame_scores = scores.numpy()[:, order]
    other._compute_log_likelihood = lambda _: frame_scores
    expected, posteriors = other.score_samples(x)
    endless = PhoneHMM(PHONES, torch.tensor([[stay[1]], [stay[0]], [1 - 1e-13]], dtype=torch.float64))
    same = forward_backward(endless.chains([transcript]), scores[None], torch.tensor([frames]))
    assert (same.log_likelihood - endless.chains([transcript]).end[0, -1]).item() == pytest.approx(expected, abs=1e-8)
    np.testing.assert_allclose(same.occupancy[0], posteriors, atol=1e-8)


def test_best_path_statistics_are_the_path():
    hmm, scores = model(2), scored(8, 2, 3)[None]
    chains, length = hmm.chains([["a", "b"]]), torch.tensor([8])
    total, nodes = viterbi(chains, scores, length)
    found = of_best_path(chains, scores, length)
    assert found.log_likelihood == total
    assert found.occupancy[0].argmax(1).tolist() == nodes[0].tolist()
    assert (found.loops.sum() + 4).item() == 8  # all frames but one of each node are followed by a loop or the next node


def test_aligned_phones_have_their_frames():
    hmm = model(2)
    scores = torch.zeros(10, hmm.count)
    for frame, state in enumerate([2, 2, 3, 2, 3, 3, 4, 4, 5, 5]):  # a, a, b without silences
        scores[frame, state] = 9.0
    (found,) = align(hmm, [scores], [["|", "a", "|", "a", "|", "b", "|"]])
    assert found.segments == [("a", 0, 3), ("a", 3, 6), ("b", 6, 10)]
    assert found.phones == ["a", "a", "b"]
    assert found.states.tolist() == [2, 2, 3, 2, 3, 3, 4, 4, 5, 5]


def test_utterances_in_any_order_and_number_are_each_as_alone():
    hmm = model(2)
    scores = [scored(frames, 2, frames) for frames in (9, 4, 12, 7)]
    transcripts = [["|", "a", "b"], ["b"], ["a", "|", "b", "a"], ["b", "|", "b"]]
    for one, each, transcript in zip(align(hmm, scores, transcripts), scores, transcripts, strict=True):
        (alone,) = align(hmm, [each], [transcript])
        assert one.score == pytest.approx(alone.score, abs=1e-12)
        assert one.segments == alone.segments


@pytest.mark.parametrize(
    ("transcript", "words"),
    [
        (["c"], "phones that are none of the model's: c"),
        (["|"], "a transcript has a phone"),
        (["a", "|", "|", "b"], "one between any two marks"),
        ([], "a transcript has a phone"),
    ],
)
def test_other_transcripts_are_refused(transcript, words):
    with pytest.raises(ValueError, match=words):
        model(1).chains([transcript])


def test_other_models_and_scores_are_refused():
    hmm = PhoneHMM.alike(["a"], states=3)
    with pytest.raises(ValueError, match="name one with silence="):
        hmm.chains([["|", "a"]])
    with pytest.raises(ValueError, match="has 2 frames, and its phones need 3 at least"):
        align(hmm, [torch.zeros(2, 3)], [["a"]])
    with pytest.raises(ValueError, match=r"scores are \(frames, 3\)"):
        align(hmm, [torch.zeros(5, 2)], [["a"]])
    with pytest.raises(ValueError, match="scores are finite"):
        align(hmm, [torch.full((5, 3), math.nan)], [["a"]])
    with pytest.raises(ValueError, match="each utterance has a transcript"):
        align(hmm, [torch.zeros(5, 3)], [])
    with pytest.raises(ValueError, match="names of their own"):
        PhoneHMM.alike(["a", "a"])
    with pytest.raises(ValueError, match="the silence is one of the phones"):
        PhoneHMM.alike(["a"], silence="sil")
    with pytest.raises(ValueError, match="loops are probabilities"):
        PhoneHMM.alike(["a"], loop=1.0)
    with pytest.raises(ValueError, match="silence at a mark"):
        PhoneHMM(("a",), torch.full((1, 1), 0.5), pause=1.0)
