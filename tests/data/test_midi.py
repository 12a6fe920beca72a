"""MIDI files, against files that mido itself writes and reads."""

import sys
from pathlib import Path

import pytest
import torch

import harmonium as hm

mido = pytest.importorskip("mido", reason="mido, of harmonium[music], is not installed")


def test_a_file_is_read_as_it_sounds(tmp_path: Path) -> None:
    melody = mido.MidiTrack(
        [
            mido.Message("note_on", note=60, velocity=80, time=0),
            mido.Message("note_on", note=60, velocity=0, time=96),  # off, as many files have it
            mido.Message("note_on", note=64, velocity=80, time=0),
            mido.Message("note_on", note=64, velocity=80, time=48),  # struck again
            mido.Message("note_off", note=64, time=48),
            mido.Message("note_on", note=5, velocity=80, time=0),  # no piano has it
            mido.Message("note_off", note=5, time=48),
        ]
    )
    bass = mido.MidiTrack(
        [
            mido.Message("note_on", note=21, velocity=80, time=50, channel=1),
            mido.Message("note_on", note=38, velocity=80, time=0, channel=9),  # a drum
            mido.Message("note_off", note=21, time=4, channel=1),
        ]
    )
    mido.MidiFile(type=1, ticks_per_beat=96, tracks=[melody, bass]).save(tmp_path / "two.mid")
    roll = hm.data.midi.read(tmp_path / "two.mid")
    assert {(time, note + 21) for time, note in roll.nonzero().tolist()} == {(0, 60), (1, 60), (2, 64), (3, 64), (1, 21)}
    assert hm.data.midi.read(tmp_path / "two.mid", frames_per_beat=4)[:, 39].nonzero()[:, 0].tolist() == [0, 1, 2, 3]


def test_what_is_written_is_read_and_lasts_as_long(tmp_path: Path) -> None:
    roll = torch.rand(30, 88, generator=torch.Generator().manual_seed(0)) < 0.1
    roll[-1, 3] = True
    hm.data.midi.write(tmp_path / "noise.mid", roll, beats_per_minute=60)
    assert torch.equal(hm.data.midi.read(tmp_path / "noise.mid"), roll)
    assert mido.MidiFile(tmp_path / "noise.mid").length == pytest.approx(15)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.mid").write_text("no music")
    mido.MidiFile(tracks=[mido.MidiTrack()]).save(tmp_path / "silence.mid")
    with pytest.raises(ValueError, match="not a readable MIDI file"):
        hm.data.midi.read(tmp_path / "text.mid")
    with pytest.raises(ValueError, match="no notes of a piano"):
        hm.data.midi.read(tmp_path / "silence.mid")
    with pytest.raises(ValueError, match="shape"):
        hm.data.midi.write(tmp_path / "x.mid", torch.ones(3, 7))
    with pytest.raises(ValueError, match="frames_per_beat"):
        hm.data.midi.read(tmp_path / "silence.mid", frames_per_beat=0)


def test_without_mido_a_sentence_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mido", None)
    with pytest.raises(ImportError, match=r"pip install 'harmonium\[music\]'"):
        hm.data.midi.write(tmp_path / "x.mid", torch.ones(3, 88))
