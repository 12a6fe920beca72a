"""The interactive page of a run while it learns, on this machine alone: `harmonium watch RUN`."""

from .serving import serve
from .watched import Watched

__all__ = ["Watched", "serve"]
