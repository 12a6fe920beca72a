"""The Free Spoken Digit Dataset: digits said by six speakers (Jackson et al. 2018)."""

from __future__ import annotations

import re
from pathlib import Path

from harmonium.data.fetch import locate
from harmonium.data.speech.utterances import Utterance

FIRST = {"recordings/0_george_0.wav": "228ab63fccdf262d2e05817b6ec918b15e7d9e4bfb6bb20183c46ae088405240"}
RATE = 8000


def load(data_dir: str | Path | None = None) -> list[Utterance]:
    """Lists the recordings: fifty of each digit by each of six speakers.

    The folder `recordings` of the original, with its `DIGIT_SPEAKER_NUMBER.wav`, is looked for in `data_dir` or else in HARMONIUM_DATA,
    there or in a folder `fsdd`, then in the cache (see `harmonium.data.fetch.locate`).

    Parameters
    ----------
    data_dir : str or pathlib.Path, optional
        The user's own folder.

    Returns
    -------
    list of Utterance
        The recordings by digit, speaker and number; the digit is the one word, and there are no phones. The published test is of numbers 0
        to 4 of each speaker and digit. To judge by voices that were not learnt from, divide by speaker.

    Raises
    ------
    FileNotFoundError
        If the recordings are not on this machine.
    ValueError
        For a recording of another name.

    Notes
    -----
    https://github.com/Jakobovski/free-spoken-digit-dataset, version 1.0.10 (CC BY-SA 4.0).

    Examples
    --------
    >>> import harmonium as hm
    >>> recordings = hm.data.fsdd.load()
    >>> len(recordings), len({each.speaker for each in recordings}), recordings[-1].words
    (3000, 6, ['9'])
    """
    folder = locate("fsdd", FIRST, (), data_dir)["recordings/0_george_0.wav"].parent
    found = []
    for path in folder.glob("*.wav"):
        named = re.fullmatch(r"(\d)_([a-z]+)_(\d+)", path.stem)
        if named is None:
            raise ValueError(f"{path} is not of this data set: expected a name such as 3_theo_12.wav")
        digit, speaker, number = named.groups()
        found.append(((digit, speaker, int(number)), Utterance(path.stem, speaker, path, RATE, words=[digit])))
    return [each for _, each in sorted(found, key=lambda pair: pair[0])]
