"""Figures of what a model has learnt, the look that they share, and the self-contained HTML report of a run."""

from . import names, style
from .card import card
from .charts import confusion, learning_curves
from .evaluation_picture import evaluation
from .figures import (
    fantasies,
    image_grid,
    mistakes,
    reconstructions,
)
from .html import Headline, Section, write_report
from .moving import Film, film
from .page import page
from .receptive_fields import before_after, filters
from .time_curves import against_time
from .utterance_picture import utterance

__all__ = [
    "Film",
    "Headline",
    "Section",
    "against_time",
    "before_after",
    "card",
    "confusion",
    "evaluation",
    "fantasies",
    "film",
    "filters",
    "image_grid",
    "learning_curves",
    "mistakes",
    "names",
    "page",
    "reconstructions",
    "style",
    "utterance",
    "write_report",
]
