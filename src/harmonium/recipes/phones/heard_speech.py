"""What is heard and what is said in it: corpora of recordings, and a stand-in that is made up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harmonium.data import librispeech, speech, speechocean, timit
from harmonium.data.fetch import locate
from harmonium.data.speech import ARPABET, Utterance
from harmonium.seeds import derive
from harmonium.sequence import PAUSE

Name = Literal["speechocean762", "timit", "folder", "librispeech-demo"]
SILENCE = "sil"
RATE = 16000
MADE_UP = ("aa", "iy", "uw", "s")
SPECTRA = ((700, 1200), (300, 2400), (350, 800), (4500, 6000))  # Hz, of the two tones of each
STAND_IN = 6  # speakers of each part
DICTIONARY = {"cmudict.dict": "81917843c7f44ce2b094ac63873c2c7a4cf802040792c455ba3ca406891c3d22"}
EVERY = 8  # of a reader's sentences is one of validation, where there are too few readers for one of their own


class Heard(NamedTuple):
    """One recording.

    Attributes
    ----------
    id, speaker : str
        Its name, and who speaks.
    transcript : list of str
        The phones, with "|" where a silence may be.
    samples : callable
        Reads the samples, (samples,).
    rate : int
        Samples per second.
    """

    id: str
    speaker: str
    transcript: list[str]
    samples: Callable[[], NDArray[np.float32]]
    rate: int


class Speech(NamedTuple):
    """The recordings of three parts, none of the test's speakers heard in the others, and how their phones are taken.

    Attributes
    ----------
    train, validation, test : list of Heard
        The parts.
    phones : tuple of str
        All phones, the silence included.
    silence : str or None
        The phone of silences that transcripts only mark; None where they name every silence.
    counted : callable
        The phones by which errors are counted, of phones that were said or recognised.
    """

    train: list[Heard]
    validation: list[Heard]
    test: list[Heard]
    phones: tuple[str, ...]
    silence: str | None
    counted: Callable[[Sequence[str]], list[str]]


def load(corpus: Name, data_dir: Path | None) -> dict[str, Speech]:
    """The recordings of a corpus, of which nothing is read yet; of a few readers once for each of them who is left out, by name.

    FileNotFoundError where they are not on this machine.
    """
    if corpus == "librispeech-demo":
        return of_librispeech(data_dir)
    return {"": {"speechocean762": of_speechocean, "timit": of_timit, "folder": of_folder}[corpus](data_dir)}


def of_librispeech(data_dir: Path | None) -> dict[str, Speech]:
    """Three readers, each left out once: the sentences of the others are learnt from, but for one of eight, which are those of validation.

    Words become phones by the CMU dictionary, the file `cmudict.dict`. Sentences with words that it lacks are left out.
    """
    lexicon = locate("cmudict", DICTIONARY, (), data_dir)["cmudict.dict"]
    sentences = [heard(each, between_words(each)) for each in librispeech.load(data_dir, lexicon=lexicon, unknown="leave out")]
    found = {}
    for reader in sorted({each.speaker for each in sentences}):
        known = [each for each in sentences if each.speaker != reader]
        test, held = [each for each in sentences if each.speaker == reader], known[EVERY - 1 :: EVERY]
        del known[EVERY - 1 :: EVERY]
        found[f"without {reader}"] = Speech(known, held, test, (SILENCE, *ARPABET), SILENCE, spoken)
    return found


def of_speechocean(data_dir: Path | None) -> Speech:
    """Adults who read English, with the phones of a dictionary: silences may be between any two words."""
    train, validation, test = ([heard(each, between_words(each)) for each in part] for part in speechocean.load(data_dir))
    return Speech(train, validation, test, (SILENCE, *ARPABET), SILENCE, spoken)


def of_timit(data_dir: Path | None) -> Speech:
    """TIMIT with its 61 phones, which name silences and closures. Errors are counted by 39, as published rates are."""
    train, validation, test = ([heard(each, each.phones) for each in part] for part in timit.load(data_dir))
    return Speech(train, validation, test, timit.PHONES, None, timit.fold)


def of_folder(data_dir: Path | None) -> Speech:
    """A user's own recordings. Of every five speakers, in the order of their names, the fourth is one of validation, the fifth of test."""
    if data_dir is None:
        raise ValueError(
            "--corpus folder takes --data-dir, the folder of your recordings with a file `text`, an id and its phones in a line"
        )
    utterances = speech.folder(data_dir)
    speakers = sorted({each.speaker for each in utterances})
    if len(speakers) < 5:
        raise ValueError(f"{data_dir} has {len(speakers)} speakers, and five are needed: name each recording's in a file utt2spk")
    part = {speaker: {3: 1, 4: 2}.get(number % 5, 0) for number, speaker in enumerate(speakers)}
    train, validation, test = (
        [heard(each, [PAUSE, *each.phones, PAUSE]) for each in utterances if part[each.speaker] == number] for number in range(3)
    )
    phones = sorted({phone for each in utterances for phone in each.phones} - {SILENCE})
    return Speech(train, validation, test, (SILENCE, *phones), SILENCE, spoken)


def heard(utterance: Utterance, transcript: list[str]) -> Heard:
    """A recording of a corpus."""
    return Heard(utterance.id, utterance.speaker, transcript, utterance.samples, utterance.rate)


def between_words(utterance: Utterance) -> list[str]:
    """The phones with marks for silences at both ends and between words."""
    found, phones = [PAUSE], iter(utterance.phones)
    for count in utterance.of_words:
        found += [*(next(phones) for _ in range(count)), PAUSE]
    return found


def spoken(phones: Sequence[str]) -> list[str]:
    """The phones without silences and marks."""
    return [phone for phone in phones if phone not in (SILENCE, PAUSE)]


def stand_in(seed: int) -> Speech:
    """Four sounds of two tones each, in noise, by speakers of other pitch: for tests of the steps, and no speech."""
    train, validation, test = (list(made_up_part(place, seed)) for place in range(3))
    return Speech(train, validation, test, (SILENCE, *MADE_UP), SILENCE, spoken)


def made_up_part(place: int, seed: int) -> Iterator[Heard]:
    """Two utterances of each speaker of a part."""
    for speaker in range(STAND_IN):
        for number in range(2):
            draw = np.random.default_rng(derive(seed, place, speaker, number))
            phones = [MADE_UP[each] for each in draw.integers(len(MADE_UP), size=6)]
            pitch = 1 + 0.05 * (speaker - STAND_IN / 2)
            read = partial(sound, phones, pitch, derive(seed, place, speaker, number, 1))
            name = f"speaker {place}-{speaker}"
            yield Heard(f"{name}, {number}", name, [PAUSE, *phones, PAUSE], read, RATE)


def sound(phones: Sequence[str], pitch: float, seed: int) -> NDArray[np.float32]:
    """The samples of made-up phones."""
    draw = np.random.default_rng(seed)
    pieces: list[NDArray[Any]] = [np.zeros(RATE // 10)]
    for phone in phones:
        time = np.arange(int(RATE * draw.uniform(0.06, 0.12))) / RATE
        low, high = (0.1 * np.sin(2 * np.pi * tone * pitch * time) for tone in SPECTRA[MADE_UP.index(phone)])
        pieces.append(low + high)
    found = np.concatenate([*pieces, np.zeros(RATE // 10)])
    return (found + 0.01 * draw.standard_normal(len(found))).astype(np.float32)
