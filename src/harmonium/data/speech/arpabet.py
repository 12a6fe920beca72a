"""The phones of American English as the CMU dictionary writes them, and dictionaries in its form."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from harmonium.data.speech.transcripts import check_phones, lines_of

_ARPABET = "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH"
ARPABET = tuple(_ARPABET.split())

Lexicon = Mapping[str, Sequence[Sequence[str]]]


def without_stress(phone: str) -> str:
    """A phone without the digit of its stress and its place in the word: AH of AH0_I.

    Examples
    --------
    >>> from harmonium.data.speech.arpabet import without_stress
    >>> [without_stress(each) for each in ("IH0_B", "T_E", "AA1", "ZH")]
    ['IH', 'T', 'AA', 'ZH']
    """
    return re.sub(r"(?<=[A-Z])[0-2]?(_[BIES])?$", "", phone.upper())


def read_lexicon(path: str | Path) -> dict[str, list[list[str]]]:
    """Reads a pronouncing dictionary in the form of CMU's: a word and its phones in a line.

    Parameters
    ----------
    path : str or pathlib.Path
        The file. Lines that begin with `;;;` or `#`, and what follows a `#` after a space, are comments. A word's other pronunciations are
        lines of their own, of the same word or numbered as in `WORD(2)`.

    Returns
    -------
    dict of str to list of list of str
        The pronunciations of each word, in capitals, without stress, in the order of the file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        For a line without phones, or with one that is not among the 39; it names file and line.

    Examples
    --------
    >>> from pathlib import Path
    >>> import harmonium as hm
    >>> _ = Path("words.dict").write_text("a AH0\\na(2) EY1\\nstep S T EH1 P  # as in walking\\n")
    >>> hm.data.speech.read_lexicon("words.dict")
    {'A': [['AH'], ['EY']], 'STEP': [['S', 'T', 'EH', 'P']]}
    """
    found: dict[str, list[list[str]]] = {}
    for where, text in lines_of(Path(path)):
        if text.startswith((";;;", "#")):
            continue
        word, *rest = text.partition(" #")[0].split()
        phones = [without_stress(each) for each in rest]
        if not phones:
            raise ValueError(f"{where}: expected a word and its phones, found {text.strip()!r}")
        check_phones(phones, ARPABET, where)
        found.setdefault(re.sub(r"\(\d+\)$", "", word).upper(), []).append(phones)
    return found


def pronounced(words: Sequence[str], lexicon: Lexicon) -> tuple[list[str], list[str]]:
    """The phones of words by the first pronunciation of each, and the words that the dictionary lacks."""
    unknown = [word for word in words if word.upper() not in lexicon]
    return [phone for word in words if word.upper() in lexicon for phone in lexicon[word.upper()][0]], unknown
