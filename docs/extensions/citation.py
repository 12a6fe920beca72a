"""BibTeX where a page has `<!-- bibtex -->`, made of CITATION.cff, so that there is one place to change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from sphinx.application import Sphinx

PLACE = "<!-- bibtex -->"


def bibtex(cff: dict[str, Any]) -> str:
    """The software entry of a citation file, whose authors are entities."""
    authors = " and ".join("{" + author["name"] + "}" for author in cff["authors"])
    lines = {"author": authors, "title": cff["title"], "version": cff["version"], "note": cff["abstract"]}
    fields = "".join(f"  {name:7} = {{{value}}},\n" for name, value in lines.items())
    return f"```bibtex\n@software{{harmonium,\n{fields}}}\n```"


def _source_read(app: Sphinx, name: str, source: list[str]) -> None:
    if PLACE in source[0]:
        path = Path(app.srcdir).parent / "CITATION.cff"
        source[0] = source[0].replace(PLACE, bibtex(yaml.safe_load(path.read_text())))
        app.env.note_dependency(str(path))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", _source_read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
