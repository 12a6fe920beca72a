"""LibriSpeech's demonstration set: three readers of books (Panayotov et al. 2015), words alone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

from harmonium.data.fetch import locate
from harmonium.data.speech.arpabet import pronounced, read_lexicon
from harmonium.data.speech.transcripts import lines_of
from harmonium.data.speech.utterances import Utterance

FIRST = {"19/19-198-0000.lab": "a4616f1997b233acd85ae1ff606c882c5b4358b1b382bbea1051f44614440fd1"}
RATE = 16000
SOUNDS = (".ogg", ".flac", ".wav")


def load(
    data_dir: str | Path | None = None, *, lexicon: str | Path | None = None, unknown: Literal["refuse", "leave out"] = "refuse"
) -> list[Utterance]:
    """Lists the sentences of three readers, with their words and, by a pronouncing dictionary, their phones.

    The files `SPEAKER/SPEAKER-CHAPTER-NUMBER.lab` with the words, and .ogg, .flac or .wav with the sound, are looked for in `data_dir` or
    else in HARMONIUM_DATA, there or in a folder `librispeech-demo`, then in the cache (see `harmonium.data.fetch.locate`). Ogg and FLAC
    need the extra `speech`.

    Parameters
    ----------
    data_dir : str or pathlib.Path, optional
        The user's own folder.
    lexicon : str or pathlib.Path, optional
        A dictionary in the form of CMU's (see `hm.data.speech.read_lexicon`). Without one, there are no phones.
    unknown : {"refuse", "leave out"}
        What becomes of sentences with words that the dictionary lacks.

    Returns
    -------
    list of Utterance
        The sentences by speaker and number. No split was published: divide by speaker.

    Raises
    ------
    FileNotFoundError
        If the files are not on this machine, or a sentence has no sound.
    ValueError
        For a transcript without words, and for words that the dictionary lacks, which it names.

    Notes
    -----
    Panayotov, Chen, Povey & Khudanpur, "LibriSpeech: an ASR corpus based on public domain audio books", ICASSP 2015. The files with one
    line of words are those of the Montreal Forced Aligner's demonstration.

    Examples
    --------
    >>> import harmonium as hm
    >>> sentences = hm.data.librispeech.load()
    >>> len(sentences), sorted({each.speaker for each in sentences}), sentences[0].words[:2]
    (367, ['19', '26', '27'], ['NORTHANGER', 'ABBEY'])
    """
    if unknown not in ("refuse", "leave out"):
        raise ValueError(f'unknown words are to "refuse" or to "leave out", found {unknown!r}')
    pronouncing = None if lexicon is None else read_lexicon(lexicon)
    root = locate("librispeech-demo", FIRST, (), data_dir)["19/19-198-0000.lab"].parents[1]
    found, lacking = [], Counter[str]()
    for path in sorted(root.glob("*/*.lab")):
        words = [word for _, text in lines_of(path) for word in text.split()]
        if not words:
            raise ValueError(f"{path} has no words: expected what is said, in one line")
        sound = next((each for kind in SOUNDS if (each := path.with_suffix(kind)).is_file()), None)
        if sound is None:
            raise FileNotFoundError(f"{path} has no sound beside it: expected {path.stem} with one of {', '.join(SOUNDS)}")
        phones, unheard = ([], []) if pronouncing is None else pronounced(words, pronouncing)
        lacking.update(unheard)
        if not unheard:
            of_words = [] if pronouncing is None else [len(pronouncing[word.upper()][0]) for word in words]
            found.append(Utterance(path.stem, path.parent.name, sound, RATE, phones, words, of_words=of_words))
    if lacking and unknown == "refuse":
        first = ", ".join(word for word, _ in lacking.most_common(10))
        raise ValueError(
            f'{lexicon} lacks {len(lacking)} of the words, such as {first}: add them, or leave their sentences out by unknown="leave out"'
        )
    return found
