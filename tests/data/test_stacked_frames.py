"""Windows of frames are slices of padded sequences, and learning takes them."""

import numpy as np
import pytest
import torch

import harmonium as hm

DRAWS = np.random.default_rng(0)
SEQUENCES = [DRAWS.standard_normal((length, 3)).astype(np.float32) for length in (6, 1, 4)]
NO_DRAWS = torch.Generator()


@pytest.mark.parametrize("frames", [1, 5, 11])
def test_windows_are_slices_of_padded_sequences(frames):
    source = hm.data.StackedFrames(SEQUENCES, frames)
    expected = []
    for sequence in SEQUENCES:
        padded = np.pad(sequence, ((frames // 2, frames // 2), (0, 0)), mode="edge")
        expected += [padded[time : time + frames].ravel() for time in range(len(sequence))]
    order = torch.from_numpy(DRAWS.permutation(11))
    assert np.array_equal(source.rows(order, NO_DRAWS), np.stack(expected)[order])
    assert (source.shape, len(source), source.lengths) == ((11, 3 * frames), 11, [6, 1, 4])


def test_learning_from_windows_is_learning_from_their_array():
    """The same bits from the source and from all its rows: layers, fine-tuning with a label for each frame, and predictions."""
    sequences = [DRAWS.standard_normal((30, 4)) for _ in range(3)]
    labels = torch.from_numpy(DRAWS.integers(0, 3, 90))
    source = hm.data.StackedFrames(sequences, 3)
    predictions = []
    for data in (source, source.rows(torch.arange(90), NO_DRAWS)):
        layers = [hm.Gaussian(12, variance=1.0), hm.Bernoulli(6), hm.Bernoulli(5)]
        dbn = hm.greedy(data, layers=layers, epochs=1, seed=0, progress=False)
        net = hm.nets.classifier(dbn, classes=3)
        hm.fine_tune(net, data, labels, validation=(data, labels), epochs=2, seed=0, progress=False)
        predictions.append(hm.predict(net, data))
    assert torch.equal(*predictions)
    assert [len(each) for each in predictions[0].split(source.lengths)] == [30, 30, 30]


@pytest.mark.parametrize(
    ("sequences", "frames", "message"),
    [
        (SEQUENCES, 4, "an odd number of frames, the frame itself in the middle, found frames=4"),
        (SEQUENCES, -1, "found frames=-1"),
        ([], 3, "at least one sequence of frames, found none"),
        ([SEQUENCES[0], np.zeros((3, 2))], 3, r"found \(3, 2\) at place 1, after \(6, 3\) at place 0"),
        ([SEQUENCES[0], np.zeros((0, 3))], 3, r"at least one frame .* found \(0, 3\) at place 1"),
        ([np.full((2, 3), np.inf)], 3, "sequences of finite numbers"),
        ([np.zeros(3)], 3, r"\(time, features\).* found \(3,\) at place 0"),
    ],
)
def test_what_has_no_windows(sequences, frames, message):
    with pytest.raises(ValueError, match=message):
        hm.data.StackedFrames(sequences, frames)
