"""Runs of recipes: their folders, their recorded outcomes, and what a recipe is."""

from harmonium.runs.contract import Recipe
from harmonium.runs.folder import Run
from harmonium.runs.options import Options, from_settings

__all__ = ["Options", "Recipe", "Run", "from_settings"]
