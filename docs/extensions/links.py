"""Links to a script of the gallery, `[text](gallery/plot_NN_name.py)`, lead on the site to the page that is made of it.

A script that is not there yet leaves its words without a link. The README, where pages point to its table of results, is the site's own.
"""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

README = re.compile(r"\]\((?:\.\./)+README\.md\)")
LINK = re.compile(r"\[([^\]]*)\]\((?:\.\./)*gallery/(plot_\w+)\.py\)")


def to_pages(text: str, gallery: Path) -> str:
    """Markdown whose links to scripts lead to their pages, as far as the folder `gallery` has them."""

    def page(link: re.Match[str]) -> str:
        words, script = link.groups()
        return f"[{words}](/auto_gallery/{script}.rst)" if (gallery / f"{script}.py").exists() else f"{words} (to come)"

    return README.sub("](/recipes/index.md)", LINK.sub(page, text))


def _source_read(app: Sphinx, name: str, source: list[str]) -> None:
    if app.env.doc2path(name, base=False).suffix == ".md":
        source[0] = to_pages(source[0], Path(app.srcdir) / "gallery")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", _source_read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
