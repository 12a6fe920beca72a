"""TIMIT: read sentences with the time of each phone (Garofolo et al. 1993; LDC93S1), from the user's own copy."""

from __future__ import annotations

import os
import string
from collections.abc import Iterable
from pathlib import Path

from harmonium.data.fetch import cache_of, of_user
from harmonium.data.speech.transcripts import check_phones, lines_of
from harmonium.data.speech.utterances import Corpus, Utterance

RATE = 16000


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


CORE = _names(
    "mdab0 mwbt0 felc0 mtas1 mwew0 fpas0 mjmp0 mlnt0 fpkt0 mlll0 mtls0 fjlm0 mbpm0 mklt0 fnlp0 mcmj0 mjdh0 fmgd0 mgrt0 mnjm0 "
    "fdhc0 mjln0 mpam0 fmld0"
)
VALIDATION = _names(
    "faks0 fdac1 fjem0 mgwt0 mjar0 mmdb1 mmdm2 mpdf0 fcmh0 fkms0 mbdg0 mbwm0 mcsh0 fadg0 fdms0 fedw0 mgjf0 mglb0 mrtk0 mtaa0 "
    "mtdt0 mthc0 mwjg0 fnmr0 frew0 fsem0 mbns0 mmjr0 mdls0 mdlf0 mdvc0 mers0 fmah0 fdrw0 mrcs0 mrjm4 fcal1 mmwh0 fjsj0 majc0 "
    "mjsw0 mreb0 fgjd0 fjmg0 mroa0 mteb0 mjfc0 mrjr0 fmml0 mrws1"
)
PHONES = _names(
    "aa ae ah ao aw ax ax-h axr ay b bcl ch d dcl dh dx eh el em en eng epi er ey f g gcl h# hh hv ih ix iy jh k kcl l m n ng "
    "nx ow oy p pau pcl q r s sh t tcl th uh uw ux v w y z zh"
)
TO_48 = {"ax-h": "ax", "axr": "er", "em": "m", "eng": "ng", "h#": "sil", "hv": "hh", "nx": "n", "pau": "sil", "ux": "uw"}
TO_48 |= {"bcl": "vcl", "dcl": "vcl", "gcl": "vcl", "kcl": "cl", "pcl": "cl", "tcl": "cl"}
TO_39 = {"ao": "aa", "ax": "ah", "cl": "sil", "el": "l", "en": "n", "epi": "sil", "ix": "ih", "vcl": "sil", "zh": "sh"}


def fold(phones: Iterable[str], to: int = 39) -> list[str]:
    """Fold phones into the 48 that models are often made of, or the 39 by which errors are counted.

    Parameters
    ----------
    phones : iterable of str
        Of the 61, or of the 48.
    to : {39, 48}
        How many kinds are left. The glottal stop, q, is left out of both.

    Returns
    -------
    list of str
        The folded phones, in their order.

    Raises
    ------
    ValueError
        For an unknown phone, and another number.

    Notes
    -----
    Lee & Hon, "Speaker-independent phone recognition using hidden Markov models", IEEE Transactions on Acoustics, Speech, and Signal
    Processing 37 (1989). Closures are silence, and ao is aa.

    Examples
    --------
    >>> import harmonium as hm
    >>> hm.data.timit.fold(["h#", "sh", "ix", "hv", "eh", "dcl", "q", "axr"])
    ['sil', 'sh', 'ih', 'hh', 'eh', 'sil', 'er']
    >>> hm.data.timit.fold(["h#", "ix", "dcl"], to=48)
    ['sil', 'ix', 'vcl']
    """
    if to not in (39, 48):
        raise ValueError(f"the 61 phones are folded to 48 or 39, found {to=}")
    known = {*PHONES, *TO_48.values()}
    found = []
    for phone in phones:
        if phone not in known:
            raise ValueError(f"{phone!r} is not one of TIMIT's phones: {' '.join(PHONES)}")
        of_48 = TO_48.get(phone, phone)
        found.append(of_48 if to == 48 else TO_39.get(of_48, of_48))
    return [phone for phone in found if phone != "q"]


def load(data_dir: str | Path | None = None) -> Corpus:
    """Lists the sentences of the user's own copy of TIMIT, in the parts that phone errors are published for.

    TIMIT is sold by the Linguistic Data Consortium, and nothing downloads it. The folders `TRAIN` and `TEST` of the original, with their
    `DR1/FCJF0/SX37.WAV`, `.PHN` and `.TXT`, in capitals or not, are looked for in `data_dir` or else in HARMONIUM_DATA, there or in a
    folder `timit`, and in the cache.

    Parameters
    ----------
    data_dir : str or pathlib.Path, optional
        The user's own folder.

    Returns
    -------
    Corpus
        All speakers of `TRAIN` to learn from, 50 of the other speakers of `TEST` for validation, and the 24 of the core test; without the
        two sentences that all read (SA). An utterance has its phones among the 61, with their times, and its words. Ids are such as
        "fcjf0_sx37".

    Raises
    ------
    FileNotFoundError
        If the folders are not on this machine, if a sentence lacks one of its files, or if a speaker is not there.
    ValueError
        For a .PHN or .TXT that cannot be read, or has an unknown phone; it names file and line.

    Notes
    -----
    Complete, the parts have 3,696, 400 and 192 sentences. The speakers of validation are those of Kaldi's recipe. The sounds are NIST
    SPHERE files, which need the extra `speech`.

    Examples
    --------
    >>> import harmonium as hm
    >>> def phones_of_the_core_test(folder):
    ...     return [hm.data.timit.fold(each.phones) for each in hm.data.timit.load(folder).test]
    >>> len(hm.data.timit.CORE), len(hm.data.timit.PHONES)
    (24, 61)
    """
    root = _root(data_dir)
    train, test = (_speakers(_inside(root, part)) for part in ("train", "test"))
    for name, folders in (("TRAIN", train), ("TEST", test)):
        absent = [] if name == "TRAIN" else [each for each in (*CORE, *VALIDATION) if each not in folders]
        if absent or not folders:
            raise FileNotFoundError(f"{root} is not all of TIMIT: {name} lacks {', '.join(absent) if absent else 'speakers'}")
    parts = (train, {name: test[name] for name in VALIDATION}, {name: test[name] for name in CORE})
    return Corpus(*([said for name, folder in part.items() for said in _sentences(name, folder)] for part in parts))


def _root(data_dir: str | Path | None) -> Path:
    chosen, _ = of_user("TIMIT", (), data_dir)
    places = [Path(chosen).expanduser()] if chosen else []
    places += [each for place in places if (each := _inside(place, "timit")).is_dir()]
    for place in (*places, cache_of("timit")):
        if all(_inside(place, part).is_dir() for part in ("train", "test")):
            return place
    looked = f" (not found in {chosen})" if chosen else ""
    raise FileNotFoundError(
        f"TIMIT is not on this machine{looked}: put its folders TRAIN and TEST into a folder and name it by --data-dir, data_dir= or "
        f"HARMONIUM_DATA, or put them into {cache_of('timit')}"
    )


def _inside(folder: Path, name: str) -> Path:
    """What is called so in a folder, in capitals or not; where nothing is, the path that it would have."""
    found = (each for each in sorted(os.listdir(folder)) if each.lower() == name) if folder.is_dir() else iter(())
    return folder / next(found, name.upper())


def _speakers(part: Path) -> dict[str, Path]:
    """The folders of the speakers, by name, in the order of their regions."""
    regions = [region for region in sorted(part.iterdir()) if region.name.lower().startswith("dr")]
    return {each.name.lower(): each for region in regions for each in sorted(region.iterdir()) if each.is_dir()}


def _sentences(speaker: str, folder: Path) -> list[Utterance]:
    files = {each.name.lower(): each for each in folder.iterdir()}
    kinds = (".wav", ".phn", ".txt")
    names = sorted({each[:-4] for each in files if each.startswith(("si", "sx")) and each.count(".") == 1 and each.endswith(kinds)})
    found = []
    for name in names:
        absent = next((f"{name}{kind}" for kind in kinds if f"{name}{kind}" not in files), None)
        if absent:
            raise FileNotFoundError(f"{folder} lacks {absent.upper()}, which belongs to the sentence {name.upper()}")
        phones, times = _phones(files[f"{name}.phn"])
        said = Utterance(f"{speaker}_{name}", speaker, files[f"{name}.wav"], RATE, phones, _words(files[f"{name}.txt"]), times)
        found.append(said)
    return found


def _timed(path: Path) -> list[tuple[str, int, int, list[str]]]:
    """(where, first sample, sample after the last, the rest) of each line."""
    found = []
    for where, text in lines_of(path):
        start, stop, *rest = [*text.split(), "", ""]
        rest = [each for each in rest if each]
        if not (start.isdecimal() and stop.isdecimal() and rest and int(start) < int(stop)):
            raise ValueError(f"{where}: expected the first sample, the one after the last, and what is said, found {text.strip()!r}")
        found.append((where, int(start), int(stop), rest))
    if not found:
        raise ValueError(f"{path} is empty: expected what is said, and when")
    return found


def _phones(path: Path) -> tuple[list[str], list[tuple[int, int]]]:
    phones: list[str] = []
    times: list[tuple[int, int]] = []
    for where, start, stop, (phone, *_) in _timed(path):
        check_phones([phone], PHONES, where)
        if times and start < times[-1][1]:
            raise ValueError(f"{where}: {phone} begins at sample {start}, before the phone before it ends at {times[-1][1]}")
        phones.append(phone)
        times.append((start, stop))
    return phones, times


def _words(path: Path) -> list[str]:
    """The sentence's words in small letters, without marks but those inside a word."""
    (_, _, _, words), *_ = _timed(path)
    return [word for each in words if (word := each.lower().strip(string.punctuation.replace("'", "")))]
