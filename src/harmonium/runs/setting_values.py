"""Which values a setting can have, by its type: whoever wrote config.json or the command line, and with whatever in mind."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

SIGNED = ("bias",)  # settings that may be negative
LARGEST = 2**31 - 1  # of the numbers in settings: beyond any size, number of epochs or rate


def has_type(value: Any, hint: Any) -> bool:
    """Whether a value is one of a setting's type, as annotations say it.

    Examples
    --------
    >>> has_type((500, 500), tuple[int, ...]), has_type("500", int), has_type(1, float), has_type(True, int)
    (True, False, True, False)
    """
    if hint is Any:
        return True
    origin, inside = get_origin(hint), get_args(hint)
    if origin is Literal:
        return any(value == each and type(value) is type(each) for each in inside)
    if origin in (Union, UnionType):
        return any(has_type(value, each) for each in inside)
    if origin is tuple:
        if not isinstance(value, tuple) or (inside[-1] is not ... and len(value) != len(inside)):
            return False
        return all(has_type(each, inside[0] if inside[-1] is ... else inside[place]) for place, each in enumerate(value))
    if hint is NoneType or hint is None:
        return value is None
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, Path if hint is Path else hint)


def check_numbers(options: Any) -> None:
    """Raises a ValueError that names a number among the settings which is not finite or beyond all use, or negative.

    Only biases may be negative.
    """
    for name, value in _numbers(options, ""):
        least = -LARGEST if name.rpartition(".")[2] in SIGNED else 0
        if not least <= value <= LARGEST:  # as NaN is not
            raise ValueError(f"--{name.replace('_', '-')} takes numbers from {least:,} to {LARGEST:,}, found {value}")


def _numbers(value: Any, name: str) -> Iterator[tuple[str, int | float]]:
    """Every number in settings, with its name."""
    if dataclasses.is_dataclass(value):
        for each in dataclasses.fields(value):
            yield from _numbers(getattr(value, each.name), f"{name}.{each.name}" if name else each.name)
    elif isinstance(value, tuple):
        for each in value:
            yield from _numbers(each, name)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield name, value
