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
