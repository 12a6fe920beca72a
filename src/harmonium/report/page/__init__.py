"""The interactive page of a net: one HTML file in which it perceives, dreams, completes and doubts what it sees."""

from .document import document, held_by
from .interactive_page import page

__all__ = ["document", "held_by", "page"]
