"""Runs a script of the gallery, and gives what it found."""

import contextlib
import io
import tempfile
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt

from tests.gallery import prose

GALLERY = Path(__file__).parents[2] / "docs" / "gallery"


def run(name: str, **smaller: str) -> dict[str, Any]:
    """The names that docs/gallery/<name>.py has at its end, its figures' labels as "figures" and its output as "printed".

    It runs as a downloaded notebook would: in an empty folder, without a file of its own. The figures that its prose gives are those
    that it computes.

    `smaller`: other values, as source, of constants that the script assigns at the start of a line of their own.
    """
    script = (GALLERY / f"{name}.py").read_text()
    lines = script.splitlines()
    for constant, value in smaller.items():
        (at,) = [n for n, line in enumerate(lines) if line.startswith(f"{constant} = ")]
        lines[at] = f"{constant} = {value}"
    found: dict[str, Any] = {"__name__": "gallery"}
    printed = io.StringIO()
    empty = tempfile.TemporaryDirectory()
    # The gallery's style ends with the script.
    with matplotlib.rc_context(), empty as folder, contextlib.chdir(folder), contextlib.redirect_stdout(printed):
        exec(compile("\n".join(lines), f"{name}.py", "exec"), found)
    found["figures"] = [plt.figure(number).get_label() for number in plt.get_fignums()]
    found["printed"] = printed.getvalue()
    if not smaller or name in prose.LEARNT:
        wrong = prose.without_source(script, "" if name in prose.LEARNT else found["printed"])
        assert not wrong, f"the prose of {name} gives figures that the script does not: {wrong}"
    return found
