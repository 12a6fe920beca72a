"""Links to a script of the gallery, `[text](gallery/plot_NN_name.py)`, lead on the site to the page that is made of it.

The README, where pages point to its table of results, is the site's own page of recipes.
"""

from __future__ import annotations

import re

from sphinx.application import Sphinx

README = re.compile(r"\]\((?:\.\./)+README\.md\)")
SCRIPT = re.compile(r"\]\((?:\.\./)*gallery/(plot_\w+)\.py\)")


def to_pages(text: str) -> str:
    """Markdown whose links lead to pages of the site."""
    return README.sub("](/recipes/index.md)", SCRIPT.sub(r"](/auto_gallery/\1.rst)", text))


def _source_read(app: Sphinx, name: str, source: list[str]) -> None:
    if app.env.doc2path(name, base=False).suffix == ".md":
        source[0] = to_pages(source[0])
        app.env.note_dependency(__file__)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", _source_read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
