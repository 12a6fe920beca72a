"""Frames of sequences, each seen amid its neighbours: windows that are made when they are visited."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from harmonium.data.frames import Frames
from harmonium.data.tables import as_tensor


class StackedFrames:
    """Windows of frames, a source for `hm.fit`, `hm.greedy`, `hm.fine_tune` and `hm.predict`: row t is frame t amid its neighbours.

    The frames are held once, and stacked for the rows that are asked for. No window reaches into another sequence: beyond its ends, its
    first and last frames are repeated.

    Parameters
    ----------
    sequences : sequence of torch.Tensor or numpy.ndarray
        The sequences, (time, features) each, at least one frame long. Their order is that of the rows.
    frames : int, default 11
        The length of a window, an odd number: the frame itself is in the middle.

    Attributes
    ----------
    lengths : list of int
        The number of frames of each sequence: `hm.predict(net, source).split(source.lengths)` is one tensor per sequence again.

    Raises
    ------
    ValueError
        For no sequence, one of another shape, without a frame or not finite, and for a length that is even or below 1.

    Notes
    -----
    Mohamed, Dahl & Hinton, "Acoustic modeling using deep belief networks", IEEE Transactions on Audio, Speech, and Language Processing 20
    (2012), learn from windows of 11 frames, and try 7 to 27.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> source = hm.data.StackedFrames([torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[7.0], [8.0]])], frames=3)
    >>> source.rows(torch.arange(5), torch.Generator())
    tensor([[1., 1., 2.],
            [1., 2., 3.],
            [2., 3., 3.],
            [7., 7., 8.],
            [7., 8., 8.]])
    >>> rbm = hm.RBM(hm.Gaussian(3), hm.Bernoulli(4))
    >>> state = hm.fit(rbm, source, epochs=1, progress=False)
    """

    def __init__(self, sequences: Sequence[Frames], frames: int = 11) -> None:
        if not isinstance(frames, int) or frames < 1 or frames % 2 == 0:
            raise ValueError(f"a window is an odd number of frames, the frame itself in the middle, found {frames=}")
        held = [as_tensor(each).detach() for each in sequences]
        width = held[0].shape[1:] if held else ()
        for number, each in enumerate(held):
            if each.dim() != 2 or not len(each) or each.shape[1:] != width or not bool(torch.isfinite(each).all()):
                raise ValueError(
                    f"expected sequences of finite numbers, (time, features), at least one frame and as many features in each, found "
                    f"{tuple(each.shape)} at place {number}, after {tuple(held[0].shape)} at place 0"
                )
        if not held:
            raise ValueError("expected at least one sequence of frames, found none")
        self.lengths = [len(each) for each in held]
        self._held = torch.cat([each.float() for each in held])
        self._ends = torch.tensor(self.lengths).cumsum(0)
        self._starts = self._ends - torch.tensor(self.lengths)
        self._offsets = torch.arange(frames) - frames // 2

    def __len__(self) -> int:
        return len(self._held)

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of all windows: (frames of all sequences, length of a window · features)."""
        return len(self._held), len(self._offsets) * self._held.shape[1]

    def rows(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        """Some windows.

        Parameters
        ----------
        indices : torch.Tensor
            (rows,) int64, the numbers of their middle frames among the frames of all sequences.
        generator : torch.Generator
            Not drawn from.

        Returns
        -------
        torch.Tensor
            (rows, length of a window · features) float32, the earliest frame first.
        """
        owner = torch.searchsorted(self._ends, indices, right=True)
        first, last = self._starts[owner, None], self._ends[owner, None] - 1
        places = (indices[:, None] + self._offsets).clamp(first, last)
        return self._held[places.to(self._held.device)].flatten(1)
