"""Errors of recognised phones: substitutions, deletions and insertions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class PhoneErrors(NamedTuple):
    """Errors of one utterance.

    Attributes
    ----------
    substitutions, deletions, insertions : int
        By the fewest edits from what was said to what was found.
    phones : int
        Said.

    Examples
    --------
    >>> import harmonium as hm
    >>> hm.sequence.PhoneErrors(2, 1, 0, 12).errors
    3
    """

    substitutions: int
    deletions: int
    insertions: int
    phones: int

    @property
    def errors(self) -> int:
        """Of all three kinds."""
        return self.substitutions + self.deletions + self.insertions


def phone_errors(said: Sequence[Sequence[str]], found: Sequence[Sequence[str]]) -> list[PhoneErrors]:
    """The fewest edits between what was said and what was found, in each utterance.

    The phone error rate is the sum of all errors over the number of phones said; it may be above 1.

    Parameters
    ----------
    said, found : sequence of sequence of str
        The phones of each utterance, without silences.

    Returns
    -------
    list of PhoneErrors
        One for each utterance.

    Raises
    ------
    ValueError
        For numbers of utterances that differ, and for an utterance in which nothing was said.
    ImportError
        Without jiwer, which counts them.

    Examples
    --------
    >>> import harmonium as hm
    >>> hm.sequence.phone_errors([["h", "e", "l", "o"]], [["h", "a", "l"]])
    [PhoneErrors(substitutions=1, deletions=1, insertions=0, phones=4)]
    """
    if len(said) != len(found) or not all(said):
        raise ValueError(
            f"each utterance has what was said, some phone at least, and what was found: {len(said)} have the one, {len(found)} the other"
        )
    try:
        import jiwer
    except ImportError as error:
        raise ImportError("phone errors are counted by jiwer: pip install 'harmonium[speech]'") from error
    results = (jiwer.process_words(" ".join(one), " ".join(other)) for one, other in zip(said, found, strict=True))
    return [PhoneErrors(each.substitutions, each.deletions, each.insertions, len(one)) for each, one in zip(results, said, strict=True)]
