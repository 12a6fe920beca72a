"""Utterances of a corpus: who said what, and where the sound is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harmonium.data.speech.audio import read

Features = Callable[[Any, int], NDArray[np.float32]]


@dataclass(frozen=True)
class Utterance:
    """One recording, and what is said in it.

    Parameters
    ----------
    id : str
        Its name in the corpus.
    speaker : str
        Who speaks.
    path : pathlib.Path
        The sound file.
    rate : int
        The file's samples per second.
    phones : list of str
        What is said, phone by phone; empty where the corpus has words alone.
    words : list of str
        What is said, word by word; empty where the corpus has phones alone.
    times : list of tuple of int
        The first sample of each phone and the one after its last, where the corpus tells them; otherwise empty.
    of_words : list of int
        How many of the phones are those of each word, where the corpus tells it; otherwise empty.

    Examples
    --------
    >>> from pathlib import Path
    >>> import harmonium as hm
    >>> utterance = hm.data.speech.Utterance("a1", "ann", Path("a1.wav"), 16000, phones=["HH", "AY"])
    >>> utterance.speaker, len(utterance.phones)
    ('ann', 2)
    """

    id: str
    speaker: str
    path: Path
    rate: int
    phones: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    times: list[tuple[int, int]] = field(default_factory=list)
    of_words: list[int] = field(default_factory=list)

    def samples(self) -> NDArray[np.float32]:
        """The samples, (samples,) float32 from -1 to 1. Raises as `read`, and ValueError where the file has another rate."""
        found = read(self.path)
        if found.rate != self.rate:
            raise ValueError(f"{self.path} has {found.rate} samples per second, expected {self.rate}: resample it")
        return found.samples


class Corpus(NamedTuple):
    """A corpus in three parts, nobody heard in two of them.

    Attributes
    ----------
    train, validation, test : list of Utterance
        The utterances of each part.

    Examples
    --------
    >>> import harmonium as hm
    >>> def voices(corpus):
    ...     return [len({each.speaker for each in part}) for part in corpus]
    >>> voices(hm.data.speech.Corpus([], [], []))
    [0, 0, 0]
    """

    train: list[Utterance]
    validation: list[Utterance]
    test: list[Utterance]


def features(utterances: Iterable[Utterance], of: Features) -> list[NDArray[np.float32]]:
    """Features of each utterance, its file read and forgotten.

    Parameters
    ----------
    utterances : iterable of Utterance
        The recordings.
    of : callable
        (samples, rate) -> (frames, features), such as `mfcc` or `filter_bank`.

    Returns
    -------
    list of numpy.ndarray
        (frames, features) float32 each.

    Raises
    ------
    ValueError
        As `Utterance.samples` and the features; it names the file.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np, harmonium as hm
    >>> from scipy.io import wavfile
    >>> wavfile.write("noise.wav", 16000, np.random.default_rng(0).integers(-999, 999, 16000).astype(np.int16))
    >>> noise = hm.data.speech.Utterance("noise", "nobody", Path("noise.wav"), 16000)
    >>> [each.shape for each in hm.data.speech.features([noise], hm.data.speech.mfcc)]
    [(98, 39)]
    """
    found = []
    for utterance in utterances:
        samples = utterance.samples()
        try:
            found.append(of(samples, utterance.rate))
        except ValueError as fault:
            raise ValueError(f"{utterance.path}: {fault}") from fault
    return found
