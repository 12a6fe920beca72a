"""What the gallery's scripts find when sphinx-gallery runs them as what they find when Python does."""

import builtins
from pathlib import Path
from typing import Any

GALLERY = Path(__file__).parents[1] / "gallery"


def own_path(configuration: dict[str, Any], script: str) -> None:
    """Gives `__file__`, by which scripts find their style sheet and which sphinx-gallery leaves undefined, to the script that is next."""
    builtins.__file__ = str(GALLERY / Path(script).name)  # type: ignore[attr-defined]
