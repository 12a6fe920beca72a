"""The Python of the guide's pages runs when the site is made, and its output and pictures stand under it.

The pages are plain Markdown with ```` ```python ```` blocks, read as well on a code host as here. For Sphinx they become notebooks: one kernel a
page, from top to bottom. What has run is cached, by its code, and runs again only when that changes.
"""

from __future__ import annotations

import ast
import re

from sphinx.application import Sphinx

HEAD = "---\nfile_format: mystnb\nkernelspec: {name: python3, display_name: Python 3}\n---\n"
BLOCK = re.compile(r"^```python\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
FIRST = """```{code-cell} ipython3
:tags: [remove-cell]
%matplotlib inline
import matplotlib.pyplot as plt
import torch
plt.style.use("harmonium.report.figures")
plt.rcParams.update({"figure.dpi": 160, "figure.constrained_layout.use": False})  # sharp on dense screens; report's figures are laid out
torch.set_num_threads(1)
torch.set_printoptions(precision=3, threshold=50, edgeitems=4)
```

"""


def to_notebook(text: str) -> str:
    """The page as a notebook: each block of Python a cell."""
    title, rest = text.split("\n", 1)
    return HEAD + title + "\n\n" + FIRST + BLOCK.sub(_cell, rest)


def _cell(block: re.Match[str]) -> str:
    """A cell shows what its last line is worth, except of a call that does something, as `hm.fit(...)`, unless that draws a figure."""
    code = block[1].rstrip()
    last = ast.parse(code).body[-1]
    acts = isinstance(last, ast.Expr) and isinstance(last.value, ast.Call) and not ast.unparse(last).startswith("report.")
    return f"```{{code-cell}} ipython3\n{code}{';' if acts and '#' not in code.splitlines()[-1] else ''}\n```"


def _source_read(app: Sphinx, name: str, source: list[str]) -> None:
    if name.startswith("guide/"):
        source[0] = to_notebook(source[0])
        app.env.note_dependency(__file__)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", _source_read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
