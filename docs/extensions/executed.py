"""The Python of the guide's pages runs when the site is made, and its output and pictures stand under it.

The pages are plain Markdown with ```` ```python ```` blocks, read as well on a code host as here. For Sphinx they become notebooks: one
kernel a page, from top to bottom. A cell shows what its last line is worth, but for the state that learning returns. What has run is
cached, by its code, and runs again only when that changes.
"""

from __future__ import annotations

import re

from sphinx.application import Sphinx

HEAD = "---\nfile_format: mystnb\nkernelspec: {name: python3, display_name: Python 3}\n---\n"
FENCE = re.compile(r"^```python$", flags=re.MULTILINE)
FIRST = """```{code-cell} ipython3
:tags: [remove-cell]
%matplotlib inline
import matplotlib.pyplot as plt
import torch
import harmonium as hm
from matplotlib.legend import Legend
hook = type(get_ipython().displayhook)
show = hook.__call__
hook.__call__ = lambda self, value=None: None if isinstance(value, hm.TrainingState | Legend) else show(self, value)
plt.style.use("harmonium.report.figures")
plt.rcParams.update({"figure.dpi": 160, "figure.constrained_layout.use": False})  # sharp on dense screens; report's figures are laid out
torch.set_num_threads(1)
torch.set_printoptions(precision=3, threshold=50, edgeitems=4)
```

"""


def to_notebook(text: str) -> str:
    """The page as a notebook: each block of Python a cell."""
    title, rest = text.split("\n", 1)
    return HEAD + title + "\n\n" + FIRST + FENCE.sub("```{code-cell} ipython3", rest)


def _source_read(app: Sphinx, name: str, source: list[str]) -> None:
    if name.startswith("guide/"):
        source[0] = to_notebook(source[0])
        app.env.note_dependency(__file__)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", _source_read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
