"""What is said of words that do not fit a command."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

HELP = ("-h", "--help")


class UsageError(ValueError):
    """The words of a command do not fit: exit code 2, where every other error that a user can mend has 1."""


def suggestion(given: str, known: Iterable[str]) -> str:
    """The end of a sentence on a word that is not known.

    Parameters
    ----------
    given
        What was typed.
    known
        What could have been.

    Returns
    -------
    str
        A question that names the nearest known word, or "" where none is near.

    Examples
    --------
    >>> suggestion("digts", ["digits", "mnist-rbm"])
    '; did you mean digits?'
    """
    near = difflib.get_close_matches(given, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""
