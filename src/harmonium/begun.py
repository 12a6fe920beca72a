"""The recipe of a run that was begun, with its settings."""

from __future__ import annotations

import dataclasses

from harmonium.recipes import RECIPES
from harmonium.runs.contract import Recipe
from harmonium.runs.folder import CONFIGURATION, Run
from harmonium.runs.options import earlier, from_settings


def options_of(found: Run) -> Recipe:
    """A run's recipe with the settings it was begun with. ValueError if its configuration is not one of this version's."""
    if found.recipe != "train" and found.recipe not in RECIPES:
        raise ValueError(f"{found.folder} holds a run of {found.recipe!r}, which is no recipe of this version: see `harmonium list`")
    try:
        kind = kind_of(found.recipe)
        return dataclasses.replace(from_settings(kind, found.settings), **earlier(kind, found.settings))
    except (TypeError, KeyError) as error:
        raise ValueError(f"{found.folder / CONFIGURATION} does not fit the recipe {found.recipe}: {error}") from error


def kind_of(name: str) -> type[Recipe]:
    """The class of a run's recipe, or of a model of the user's own data."""
    if name != "train":
        return RECIPES[name]
    from harmonium.train_commands import Train  # here: no other run is of files of data

    return Train
