"""Pieces of music to learn from, to choose by and to be judged on: the published collections, a user's own, and made-up ones."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from harmonium.data import midi
from harmonium.data.music import COUNTS, NOTES, Music

COLLECTIONS = tuple(COUNTS)
SHARES = (0.7, 0.85)  # of one's own pieces or frames, in order: to learn from, and to choose by; the rest is judged on
CHORDS = ((39, 43, 46, 51), (36, 44, 48, 51), (41, 44, 48, 53), (34, 41, 46, 50))


def hears() -> bool:
    """Whether there is mido, which reads and writes MIDI files."""
    return find_spec("mido") is not None


def from_midi(folder: Path) -> Music:
    """A folder of MIDI files, a piece each, divided in the order of their names: 70 % are learnt from, 15 % chosen by, the rest judged on.

    Raises
    ------
    ValueError
        Without mido, for fewer than three files, and for one that is not readable.
    """
    if not hears():
        raise ValueError(f"{folder} is read by mido: pip install 'harmonium[music]'")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".mid", ".midi")) if folder.is_dir() else []
    if len(files) < 3:
        raise ValueError(
            f"--midi takes a folder of three .mid files or more, to learn from, to choose by and to judge on; {folder} has {len(files)}"
        )
    pieces = [midi.read(path) for path in files]
    first = max(1, min(round(SHARES[0] * len(pieces)), len(pieces) - 2))
    second = max(first + 1, min(round(SHARES[1] * len(pieces)), len(pieces) - 1))
    return Music(pieces[:first], pieces[first:second], pieces[second:])


def from_array(path: Path) -> Music:
    """An .npy file of frames (time, 88) of zeros and ones, one long piece: its first 70 % are learnt from, the next 15 % chosen by.

    Raises
    ------
    ValueError
        For another shape, for other values, with the first row that has one, and for a file that is no .npy file of numbers.
    """
    try:
        frames = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as fault:
        raise ValueError(f"{path} is no readable .npy file of numbers: {fault}") from fault
    if (
        not isinstance(frames, np.ndarray)
        or frames.ndim != 2
        or frames.shape[1] != NOTES
        or len(frames) < 20
        or frames.dtype.kind not in "biuf"
    ):
        found = f"{frames.dtype} of shape {frames.shape}" if isinstance(frames, np.ndarray) else type(frames).__name__
        raise ValueError(f"{path} should be an array of numbers of shape (time, {NOTES}), 20 frames at least, found {found}")
    wrong = np.flatnonzero(~((frames == 0) | (frames == 1)).all(1))
    if len(wrong):
        value = next(each for each in frames[wrong[0]] if each not in (0, 1))
        raise ValueError(
            f"{path} should hold zeros and ones, and row {wrong[0]} (counted from 0) has {value}: mend or leave out this frame"
        )
    roll = torch.from_numpy(frames.astype(bool))
    first, second = (round(share * len(roll)) for share in SHARES)
    return Music([roll[:first]], [roll[first:second]], [roll[second:]])


def made_up(seed: int, count: int = 6, frames: int = 40) -> Music:
    """Pieces of chords that follow one another in a circle, each held for two frames, some of its notes left out."""
    generator = torch.Generator().manual_seed(seed)
    pieces = []
    for _ in range(3 * count):
        start = int(torch.randint(len(CHORDS), (), generator=generator))
        roll = torch.zeros(frames, NOTES, dtype=torch.bool)
        for time in range(frames):
            chord = torch.tensor(CHORDS[(start + time // 2) % len(CHORDS)])
            roll[time, chord[torch.rand(len(chord), generator=generator) < 0.8]] = True
        pieces.append(roll)
    return Music(pieces[:count], pieces[count : 2 * count], pieces[2 * count :])


def some_of(pieces: Sequence[Tensor], frames: int, seed: int) -> list[Tensor]:
    """Pieces in a drawn order, the last one cut off, until there are so many frames; all pieces where there are no more."""
    if sum(map(len, pieces)) <= frames:
        return list(pieces)
    found: list[Tensor] = []
    for number in torch.randperm(len(pieces), generator=torch.Generator().manual_seed(seed)).tolist():
        found.append(pieces[number][: frames - sum(map(len, found))])
        if sum(map(len, found)) == frames:
            break
    return found
