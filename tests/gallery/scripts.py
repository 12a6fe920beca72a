"""Runs a script of the gallery, and gives what it found."""

from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt

GALLERY = Path(__file__).parents[2] / "docs" / "gallery"


def run(name: str, **smaller: str) -> dict[str, Any]:
    """The names that docs/gallery/<name>.py has at its end, and its figures' labels as "figures".

    `smaller`: other values, as source, of constants that the script assigns at the start of a line of their own.
    """
    path = GALLERY / f"{name}.py"
    lines = path.read_text().splitlines()
    for constant, value in smaller.items():
        (at,) = [n for n, line in enumerate(lines) if line.startswith(f"{constant} = ")]
        lines[at] = f"{constant} = {value}"
    found: dict[str, Any] = {"__file__": str(path), "__name__": "gallery"}
    with matplotlib.rc_context():  # the gallery's style ends with the script, also in a fixture of a whole file
        exec(compile("\n".join(lines), str(path), "exec"), found)
    found["figures"] = [plt.figure(number).get_label() for number in plt.get_fignums()]
    return found
