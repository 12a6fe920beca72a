"""Figures of what a model has learnt, and the self-contained HTML report of a run."""

from ._against_time import against_time
from ._evaluation import evaluation
from ._film import Film, film
from .figures import (
    before_after,
    confusion,
    fantasies,
    filters,
    image_grid,
    learning_curves,
    mistakes,
    reconstructions,
)
from .html import Headline, Section, write_report

__all__ = [
    "Film",
    "Headline",
    "Section",
    "against_time",
    "before_after",
    "confusion",
    "evaluation",
    "fantasies",
    "film",
    "filters",
    "image_grid",
    "learning_curves",
    "mistakes",
    "reconstructions",
    "write_report",
]
