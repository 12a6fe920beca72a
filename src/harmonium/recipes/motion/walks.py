"""Captured walks as standardised sequences: to learn from, to choose by and to be judged on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.data.motion import Capture
from harmonium.data.skeleton import Skeleton

PERIOD, LEARNT, CHOSEN_BY = 500, 300, 400  # frames: of each 500, 300 are learnt from, 100 chosen by and 100 judged on
CONSTANT = 1e-4  # of a column's size: one that varies less does not vary


class Walks(NamedTuple):
    """Sequences of standardised frames, (time, numbers) float32 each, and the way back to captured frames.

    Attributes
    ----------
    learnt, validation, test : list of Tensor
        Each piece is of one captured sequence.
    columns : Tensor
        (numbers,): which columns of a captured frame the numbers are.
    mean, scale : Tensor
        (columns,): of the captured frames that are learnt from.
    skeleton : Skeleton
        That the captured frames move.
    """

    learnt: list[Tensor]
    validation: list[Tensor]
    test: list[Tensor]
    columns: Tensor
    mean: Tensor
    scale: Tensor
    skeleton: Skeleton

    def captured(self, frames: Tensor) -> Tensor:
        """Standardised frames, (..., numbers), as captured ones; columns that never change have their one value."""
        whole = self.mean.expand(*frames.shape[:-1], -1).clone()
        whole[..., self.columns] += frames * self.scale[self.columns]
        return whole

    def positions(self, frames: Tensor) -> Tensor:
        """Where the joints are: (time, joints, 3) in mm, of standardised frames (time, numbers)."""
        return self.skeleton.positions(self.captured(frames))

    def moved_by(self, joints: Sequence[int]) -> Tensor:
        """(numbers,) booleans: which numbers turn these joints."""
        turning = {column for joint in joints for column in self.skeleton.turns[joint]}
        return torch.tensor([column in turning for column in self.columns.tolist()])


def divided(capture: Capture, longest: int) -> Walks:
    """Pieces of each captured sequence in turn, standardised by those that are learnt from.

    Parameters
    ----------
    capture
        The sequences and their skeleton.
    longest
        The shortest piece that is judged on has this many frames; a shorter end is left out.
    """
    parts: tuple[list[Tensor], ...] = ([], [], [])
    for sequence in capture.sequences:
        for start in range(0, len(sequence), PERIOD):
            block = sequence[start : start + PERIOD]
            for part, piece in zip(parts, (block[:LEARNT], block[LEARNT:CHOSEN_BY], block[CHOSEN_BY:]), strict=True):
                part += [piece] if len(piece) >= longest else []
    frames = torch.cat(parts[0]).double()
    mean, scale = frames.mean(0), frames.std(0, correction=0)
    columns = (scale > CONSTANT * mean.abs().clamp_min(1e-6)).nonzero()[:, 0]
    learnt, validation, test = ([((piece.double() - mean) / scale)[:, columns].float() for piece in part] for part in parts)
    return Walks(learnt, validation, test, columns, mean.float(), scale.float(), capture.skeleton)


def windows(pieces: Sequence[Tensor], past: int, frames: int) -> tuple[Tensor, Tensor, Tensor]:
    """Every stretch of a piece, cut into its past and the frames to predict.

    Parameters
    ----------
    pieces
        (time, numbers) each.
    past, frames
        Their lengths.

    Returns
    -------
    past : Tensor
        (windows, past, numbers).
    future : Tensor
        (windows, frames, numbers).
    piece : Tensor
        (windows,): the number of the piece that each is of.
    """
    cut = [piece.unfold(0, past + frames, 1).mT for piece in pieces]
    both = torch.cat(cut)
    return both[:, :past], both[:, past:], torch.cat([torch.full((len(each),), number) for number, each in enumerate(cut)])
