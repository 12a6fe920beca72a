"""A user's own recordings: sound files in a folder, and a file of what is said in them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from harmonium.data.speech.transcripts import check_phones, entry, table
from harmonium.data.speech.utterances import Utterance

SOUNDS = (".wav", ".flac", ".ogg", ".opus", ".sph")


def folder(
    path: str | Path, transcripts: str | Path = "text", *, rate: int = 16000, phones: Collection[str] | None = None
) -> list[Utterance]:
    """Lists the recordings of a folder, with the phones of a transcript in Kaldi's form.

    Each recording is `ID.wav` (or .flac, .ogg, .opus, .sph) in the folder or below it. The speakers are those of a file `utt2spk` (an id
    and its speaker in a line) where the folder has one, and otherwise are named by the folder that the recording lies in.

    Parameters
    ----------
    path : str or pathlib.Path
        The folder.
    transcripts : str or pathlib.Path, default "text"
        The file of transcripts, in the folder or by its full path: an id and its phones in a line.
    rate : int, default 16000
        Samples per second of the files. That they have it is checked when they are read.
    phones : collection of str, optional
        The phones that may occur. By default all do.

    Returns
    -------
    list of Utterance
        The utterances, in the order of their ids.

    Raises
    ------
    FileNotFoundError
        If there is no such folder or file, or no recording of a line.
    ValueError
        For a recording without a transcript, and for a line that cannot be read or has an unknown phone; it names file and line.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np, harmonium as hm
    >>> from scipy.io import wavfile
    >>> Path("own/ann").mkdir(parents=True)
    >>> wavfile.write("own/ann/a1.wav", 16000, np.zeros(16000, np.int16))
    >>> _ = Path("own/text").write_text("a1 HH AY\\n")
    >>> (utterance,) = hm.data.speech.folder("own")
    >>> utterance.id, utterance.speaker, utterance.phones, len(utterance.samples())
    ('a1', 'ann', ['HH', 'AY'], 16000)
    """
    path = Path(path).expanduser()
    if not path.is_dir():
        raise FileNotFoundError(f"{path} is not a folder: give the one that holds the recordings")
    said = table(path / transcripts)
    sounds: dict[str, Path] = {}
    for each in sorted(path.rglob("*")):
        if each.suffix.lower() in SOUNDS:
            if each.stem in sounds:
                raise ValueError(f"{each} and {sounds[each.stem]} have one id, {each.stem}: give each recording its own")
            if each.stem not in said:
                raise ValueError(f"{each} has no transcript: add a line for {each.stem} to {path / transcripts}")
            sounds[each.stem] = each
    speakers = table(path / "utt2spk") if (path / "utt2spk").is_file() else None
    found = []
    for name, line in sorted(said.items()):
        if name not in sounds:
            raise FileNotFoundError(f"{line.where}: {path} has no recording {name}{SOUNDS[0]} ({', '.join(SOUNDS[1:])})")
        if phones is not None:
            check_phones(line.fields, phones, line.where)
        speaker = sounds[name].parent.name if speakers is None else entry(speakers, name, path / "utt2spk").fields[0]
        found.append(Utterance(name, speaker, sounds[name], rate, phones=line.fields))
    return found
