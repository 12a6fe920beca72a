"""What the register says of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Entry:
    """What the register says of a recipe.

    Attributes
    ----------
    name
        As the command line has it.
    module
        Where it is.
    kind
        Its class there.
    sentence
        What it does, in at most 60 characters.
    published
        The value published of the first headline, "" where there is none; a star says that the protocol is another than ours.
    headline
        Metrics, of which a list shows the first, and the records that have them all.
    setting
        The one whose record a list shows; by default the first that is recorded.
    least
        A metric and the value below which a record is in no list and no table: it is no record of what the recipe is about.
    """

    name: str
    module: str
    kind: str
    sentence: str
    published: str
    headline: tuple[str, ...]
    setting: str = ""
    least: tuple[str, float] | None = None

    def shows(self, metrics: Mapping[str, Any]) -> bool:
        """Whether lists and tables show a record with these metrics."""
        if self.least is None:
            return True
        name, value = self.least
        return name in metrics and min(each for each in metrics[name]["values"] if each is not None) >= value
