"""Frames and those before them, by hand."""

import numpy as np
import pytest
import torch

import harmonium as hm


def test_each_frame_has_the_window_before_it_oldest_first():
    sequence = np.arange(10).reshape(5, 2)
    frames, contexts = hm.data.past_frames(sequence, 2)
    assert frames.tolist() == [[4, 5], [6, 7], [8, 9]]
    assert contexts.tolist() == [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7]]
    assert hm.data.past_frames(sequence, 4)[1].tolist() == [[0, 1, 2, 3, 4, 5, 6, 7]]


def test_no_window_reaches_from_one_sequence_into_another():
    first, second = np.arange(10).reshape(5, 2), np.arange(100, 106).reshape(3, 2)
    for sequences in ([first, second], (torch.tensor(first), torch.tensor(second))):
        frames, contexts = hm.data.past_frames(sequences, 2)
        assert frames.tolist() == [[4, 5], [6, 7], [8, 9], [104, 105]]
        assert contexts.tolist() == [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7], [100, 101, 102, 103]]
    assert [part.tolist() for part in hm.data.past_frames([first], 2)] == [part.tolist() for part in hm.data.past_frames(first, 2)]
    equal = [first, first + 100]  # as many frames each, which would make an array
    assert hm.data.past_frames(equal, 4)[1].tolist() == [[*range(8)], [*range(100, 108)]]


def test_sequences_that_do_not_go_together_are_refused():
    long, short, wide = np.zeros((5, 2)), np.zeros((2, 2)), np.zeros((5, 3))
    with pytest.raises(ValueError, match=r"sequence 1 .* longer than the count of past frames, .* found shape \(2, 2\)"):
        hm.data.past_frames([long, short], 2)
    with pytest.raises(ValueError, match="one shape and type"):
        hm.data.past_frames([long, wide], 2)
    with pytest.raises(ValueError, match="one shape and type"):
        hm.data.past_frames([long, long.astype(np.float32)], 2)
    for frames in ([np.zeros(2)] * 5, [[0.0, 1.0], [2.0, 3.0]]):  # one sequence, frame by frame
        with pytest.raises(ValueError, match="make the frames of one sequence an array"):
            hm.data.past_frames(frames, 1)
    with pytest.raises(ValueError, match="at least one sequence"):
        hm.data.past_frames([], 1)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float64])
def test_frames_keep_their_shape_and_type(dtype):
    sequence = torch.arange(24).reshape(4, 2, 3).to(dtype)
    frames, contexts = hm.data.past_frames(sequence, 1)
    assert frames.dtype == contexts.dtype == dtype
    assert torch.equal(frames, sequence[1:])
    assert torch.equal(contexts, sequence[:-1].flatten(1))


def test_memory_that_nobody_may_write_to():
    sequence = np.arange(6.0).reshape(3, 2)
    sequence.setflags(write=False)
    assert hm.data.past_frames(sequence, 1)[1].tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize(("shape", "count"), [((3, 2), 3), ((3, 2), 0), ((5,), 1)])
def test_what_has_no_past_is_refused(shape, count):
    with pytest.raises(ValueError, match="longer than the count of past frames"):
        hm.data.past_frames(np.zeros(shape), count)
