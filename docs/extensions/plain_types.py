"""The types of a recipe's options without what they tell the command line: `Annotated[Path | None, arg(...)]` is shown as `Path | None`."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

ANNOTATED = re.compile(r"Annotated\[([^,]+), ~?[\w.]+\([^()]*\)\]")


def plain(text: str) -> str:
    """A type, or a signature with its types."""
    return ANNOTATED.sub(r"\1", text)


def _signature(
    app: Sphinx, what: str, name: str, value: Any, options: Any, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    return signature and plain(signature), returned


def _attribute(app: Sphinx, domain: str, kind: str, content: addnodes.desc_content) -> None:
    """autodoc has no event for the type of an attribute, which stands in the description when its text has been read."""
    for annotation in list(content.parent.findall(addnodes.desc_annotation)) if kind == "attribute" else ():
        text = annotation.astext()
        if text != plain(text):
            annotation.clear()
            annotation += nodes.Text(plain(text))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-signature", _signature)
    app.connect("object-description-transform", _attribute)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
