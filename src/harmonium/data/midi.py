"""MIDI files as piano rolls, and piano rolls as MIDI files; by mido, which `pip install 'harmonium[music]'` brings."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harmonium.files import write_atomically

LOWEST, NOTES = 21, 88  # the piano's lowest key, A0, and its keys
TICKS = 480  # a beat, of files that are written
LONGEST = 1 << 20  # frames of a piece: no music has as many


def read(path: str | Path, *, frames_per_beat: int = 2) -> Tensor:
    """The notes that sound in each frame of a MIDI file, all its tracks together.

    Parameters
    ----------
    path : str or pathlib.Path
        A file of type 0 or 1.
    frames_per_beat : int, default 2
        Frames of a quarter note: 2 are eighths.

    Returns
    -------
    torch.Tensor
        (time, 88) bool. A note sounds from the frame nearest to its beginning, for one frame at least. Notes that a piano has not, and
        percussion (channel 10), are left out.

    Raises
    ------
    ImportError
        Without mido.
    FileNotFoundError
        If there is no such file.
    ValueError
        For a file that is no MIDI file, or that has no notes.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> scale = torch.eye(88, dtype=torch.bool)[39:47]
    >>> hm.data.midi.write("scale.mid", scale)
    >>> torch.equal(hm.data.midi.read("scale.mid"), scale)
    True
    """
    mido = _mido()
    if frames_per_beat < 1:
        raise ValueError(f"a beat has at least one frame, found frames_per_beat={frames_per_beat}")
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no MIDI file {path}")
    try:
        file = mido.MidiFile(path)
    except Exception as fault:  # the reader may raise any exception, depending on the bytes
        raise ValueError(f"{path} is not a readable MIDI file: {fault or 'it ends too early'}") from fault
    ticks = file.ticks_per_beat / frames_per_beat
    if ticks <= 0:
        raise ValueError(f"{path} divides a beat into {file.ticks_per_beat} ticks: expected at least one")
    found: list[tuple[int, int, int]] = []
    for track in file.tracks:
        sounding: dict[tuple[int, int], float] = {}
        now = 0
        for message in track:
            now += message.time
            if message.type not in ("note_on", "note_off") or message.channel == 9:
                continue
            key = (message.channel, message.note)
            if key in sounding:
                start = round(sounding.pop(key) / ticks)
                found.append((message.note - LOWEST, start, max(round(now / ticks), start + 1)))
            if message.type == "note_on" and message.velocity:
                sounding[key] = now
    found = [each for each in found if 0 <= each[0] < NOTES]
    if not found:
        raise ValueError(f"{path} has no notes of a piano: expected a MIDI file of music")
    if (frames := max(stop for _, _, stop in found)) > LONGEST:
        raise ValueError(f"{path} lasts {frames:,} frames, and at most {LONGEST:,} are read: is it damaged?")
    roll = torch.zeros(frames, NOTES, dtype=torch.bool)
    for note, start, stop in found:
        roll[start:stop, note] = True
    return roll


def write(path: str | Path, roll: Tensor, *, frames_per_beat: int = 2, beats_per_minute: float = 90) -> None:
    """Writes a piano roll as a MIDI file. A note that sounds in successive frames is one long note.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.
    roll : torch.Tensor
        (time, 88), zeros and ones, or booleans.
    frames_per_beat : int, default 2
        As for `read`.
    beats_per_minute : float, default 90
        The tempo.

    Raises
    ------
    ImportError
        Without mido.
    ValueError
        For a roll of another shape or without frames.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> hm.data.midi.write("chord.mid", torch.eye(88)[[39, 43, 46]].sum(0, keepdim=True))
    """
    mido = _mido()
    if roll.dim() != 2 or roll.shape[1] != NOTES or not len(roll):
        raise ValueError(f"expected a piano roll of shape (time, {NOTES}), found {tuple(roll.shape)}")
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(beats_per_minute))])
    silence = torch.zeros(1, NOTES, dtype=torch.int8)
    changes = torch.cat([silence, roll.to(torch.int8), silence]).diff(dim=0)
    waited = 0
    for frame in changes:
        for note in (frame < 0).nonzero()[:, 0].tolist():
            track.append(mido.Message("note_off", note=note + LOWEST, time=waited))
            waited = 0
        for note in (frame > 0).nonzero()[:, 0].tolist():
            track.append(mido.Message("note_on", note=note + LOWEST, velocity=64, time=waited))
            waited = 0
        waited += TICKS // frames_per_beat
    buffer = io.BytesIO()
    mido.MidiFile(ticks_per_beat=TICKS, tracks=[track]).save(file=buffer)
    write_atomically(Path(path), buffer.getvalue())


def _mido() -> Any:
    try:
        import mido  # an extra
    except ImportError as error:
        raise ImportError("MIDI files are read and written by mido: pip install 'harmonium[music]'") from error
    return mido
