"""Speechocean762: English read by native speakers of Mandarin (Zhang et al. 2021)."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from harmonium.data.fetch import locate
from harmonium.data.speech.arpabet import ARPABET, without_stress
from harmonium.data.speech.transcripts import Line, check_phones, entry, table
from harmonium.data.speech.utterances import Corpus, Utterance

FILES = {"resource/lexicon.txt": "049425b86748f312c2a61e73abeff554a0fe047967ac4630fef9689434410a81"}
RATE = 16000
ADULT = 18
EVERY = 7  # of the training speakers, in the order of their numbers, is one of validation


def load(data_dir: str | Path | None = None) -> Corpus:
    """Lists the sentences of the adult speakers, with the phones that a dictionary gives for their words.

    The folders `WAVE`, `train`, `test` and `resource` of the original are looked for in `data_dir` or else in HARMONIUM_DATA, there or in a
    folder `speechocean762`, then in the cache (see `harmonium.data.fetch.locate`). `train/wav.scp` and `test/wav.scp` name the sound files:
    the original's WAV, or Ogg, which needs the extra `speech`.

    Parameters
    ----------
    data_dir : str or pathlib.Path, optional
        The user's own folder.

    Returns
    -------
    Corpus
        The speakers of 18 years and more. Of the published training speakers, in the order of their numbers, every seventh is one of
        validation. The published test part is without the sentences that are read in the training part too. Phones are the 39 of
        `hm.data.speech.ARPABET`, without stress and place in the word.

    Raises
    ------
    FileNotFoundError
        If the lists are not on this machine, or some of them are not.
    ValueError
        For a list with a missing or unreadable line, or an unknown phone; it names file and line.

    Notes
    -----
    Zhang et al., "speechocean762: An open-source non-native English speech corpus for pronunciation assessment", Interspeech 2021. The
    phones are those of the dictionary, not those that were spoken, and have no times. So rates of error compare with other models on these
    data alone, not with TIMIT's. Two test speakers read nothing but sentences of the training part.

    Examples
    --------
    >>> import harmonium as hm
    >>> train, validation, test = hm.data.speechocean.load()
    >>> len(train), len(validation), len(test)
    (1160, 180, 1180)
    >>> train[0].speaker, train[0].words[:4], train[0].phones[:8]
    ('0036', ["IT'S", 'JUST', 'SO', 'HARD'], ['IH', 'T', 'S', 'JH', 'AH', 'S', 'T', 'S'])
    """
    root = locate("speechocean762", FILES, (), data_dir)["resource/lexicon.txt"].parents[1]
    phones = _phones(root / "resource" / "text-phone")
    train, test = (_part(root, part, phones) for part in ("train", "test"))
    speakers = sorted({each.speaker for each in train})
    held = set(speakers[EVERY - 1 :: EVERY])
    known = {tuple(each.words) for each in train}
    return Corpus(
        [each for each in train if each.speaker not in held],
        [each for each in train if each.speaker in held],
        [each for each in test if tuple(each.words) not in known],
    )


def _phones(path: Path) -> dict[str, dict[int, Line]]:
    """The phones of each word, by utterance and the word's number."""
    found: dict[str, dict[int, Line]] = defaultdict(dict)
    for name, line in table(path).items():
        utterance, _, number = name.partition(".")
        if not number.isdecimal():
            raise ValueError(f"{line.where}: expected an utterance and the number of its word, as in 000240010.0, found {name!r}")
        plain = [without_stress(each) for each in line.fields]
        check_phones(plain, ARPABET, line.where)
        found[utterance][int(number)] = Line(plain, line.where)
    return found


def _part(root: Path, part: str, phones: dict[str, dict[int, Line]]) -> list[Utterance]:
    lists = {name: table(root / part / name) for name in ("text", "utt2spk", "spk2age", "wav.scp")}
    found = []
    for name, (words, where) in lists["text"].items():
        speaker, sound = (entry(lists[of], name, root / part / of).fields[0] for of in ("utt2spk", "wav.scp"))
        age = entry(lists["spk2age"], speaker, root / part / "spk2age")
        if not age.fields[0].isdecimal():
            raise ValueError(f"{age.where}: expected a speaker and an age in years, found {age.fields[0]!r}")
        if int(age.fields[0]) < ADULT:
            continue
        spoken = phones.get(name, {})
        if sorted(spoken) != list(range(len(words))):
            raise ValueError(f"{where}: {name} has {len(words)} words, and text-phone the phones of {len(spoken)}: expected those of each")
        by_word = [spoken[number].fields for number in range(len(words))]
        every = [phone for word in by_word for phone in word]
        found.append(Utterance(name, speaker, root / sound, RATE, every, words, of_words=[len(word) for word in by_word]))
    return found
