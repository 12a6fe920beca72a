"""The words of a command, made into options; and what the parser says, in one sentence."""

from __future__ import annotations

import contextlib
import functools
import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import tyro

from harmonium.usage import HELP, UsageError, suggestion


def parse(kind: Callable[..., Any], words: Sequence[str], program: str) -> Any:
    """A dataclass or a function called with options.

    Parameters
    ----------
    kind
        What to call; its signature makes the options.
    words
        Of the command line, from the first option on.
    program
        The command's name in help and errors.

    Returns
    -------
    object
        What the call gives.

    Raises
    ------
    UsageError
        The words do not fit, in one sentence.
    """
    if set(words) & set(HELP):
        return tyro.cli(kind, prog=program, args=words)
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            return tyro.cli(kind, prog=program, args=words)
    except SystemExit:
        raise UsageError(f"{sentence(said.getvalue())}; `{program} --help` shows what it takes") from None


def sentence(box: str) -> str:
    """The first paragraph of a framed message, in one line, with the option that may have been meant.

    Examples
    --------
    >>> sentence("│ Error parsing --seed: invalid literal for int() with base 10: 'one' │")
    "--seed takes a whole number, found 'one'"
    """
    framed = [line.strip("│ ") for line in box.splitlines() if line.startswith("│")]  # on a terminal that has such signs
    lines = framed or [line.strip() for line in box.splitlines()]
    parts = [part.strip() for part in re.split("[─-]{3,}", " ".join(lines))][0 if framed else 1 :] or [""]
    said = parts[0].rstrip(".")
    for found, plain in PLAIN:
        said = re.sub(found, plain, said)
    if said.startswith("Missing from"):
        wanted = [line for line in lines if re.fullmatch(r"--\w\S* \S+|[A-Z|]+", line)]
        said = f"missing: {', '.join(wanted)}"
    _, _, perhaps = " ".join(parts).partition("Perhaps you meant:")
    near = re.findall(r"--[a-z][\w.-]*", perhaps)
    meant = suggestion(said.split()[0], near).removeprefix("; ") if said else ""
    return said + (f" ({meant})" if meant else "")


PLAIN = (
    (r"Error parsing (\S+): invalid literal for int\(\) with base 10: (.*)", r"\1 takes a whole number, found \2"),
    (r"Error parsing (\S+): could not convert string to float: (.*)", r"\1 takes a number, found \2"),
    (r"^Error parsing \S+: ", ""),
    ("^Unrecognized options: ([^,]*).*", r"\1 is not known here"),
    (r"[Ii]nvalid choice '(.*)' for argument '(.*)'. Expected one of \((.*)\)", r"\2 takes one of \3, found '\1'"),
)
"""What the parser says, and how it is said here."""


def later(function: Callable[..., None]) -> Callable[..., Callable[[], None]]:
    """Has a function's options parsed without calling it."""

    @functools.wraps(function)
    def gathered(*args: Any, **kwargs: Any) -> Callable[[], None]:
        return functools.partial(function, *args, **kwargs)

    return gathered
