"""Utterances as people have them: arrays, whole numbers; and none, or of several widths."""

import numpy as np
import pytest
import torch

import harmonium as hm

PHONES = hm.sequence.PhoneHMM.alike(["a", "b"], states=1)
SPOKEN = [np.array([[0.0], [1.0], [0.0], [30.0], [31.0]]), np.array([[1.0], [30.0], [29.0], [31.0]])]
SAID = [["a", "b"]] * 2


@pytest.mark.parametrize("kind", ["float32", "float64", "uint8", "int64"])
def test_arrays_are_learnt_aligned_and_decoded_as_tensors_are(kind: str) -> None:
    spoken = [each.astype(kind) for each in SPOKEN]
    found, expected = (hm.sequence.train_phones(PHONES, each, SAID, components=1) for each in (spoken, list(map(torch.tensor, spoken))))
    assert torch.equal(found.mixtures.means, expected.mixtures.means)
    scores = [expected.mixtures(torch.tensor(each).to(expected.mixtures.means)) for each in spoken]
    arrays = [each.numpy() for each in scores]
    language = hm.sequence.bigram(SAID, ["a", "b"])
    for one, other in (
        (hm.sequence.align(found.hmm, arrays, SAID), hm.sequence.align(expected.hmm, scores, SAID)),
        (hm.sequence.decode(found.hmm, arrays, language), hm.sequence.decode(expected.hmm, scores, language)),
    ):
        assert [each.segments for each in one] == [each.segments for each in other]
    assert [each.phones for each in hm.sequence.align(found.hmm, arrays, SAID)] == SAID


@pytest.mark.parametrize("spoken", [[], [np.zeros(4)], [np.zeros((4, 1)), np.zeros((4, 2))]])
def test_utterances_without_a_shape_of_their_own_are_refused(spoken: list[np.ndarray]) -> None:
    with pytest.raises(ValueError, match=r"expected utterances of \(frames, features\)"):
        hm.sequence.train_phones(PHONES, spoken, SAID[: len(spoken)])


def test_frames_of_nan_name_their_utterance() -> None:
    with pytest.raises(ValueError, match="utterance"):
        hm.sequence.train_phones(PHONES, [SPOKEN[0], np.full((4, 1), np.nan)], SAID)
