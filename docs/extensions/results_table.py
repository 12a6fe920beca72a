"""Recorded results where a page has `<!-- results -->`, from results/*.json as the README's table is.

On a recipe's own page every figure, each likelihood with the sentence on how far to trust it, and what was superseded and why; on other
pages the headlines of all recipes.
"""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx

from harmonium.recipes import RECIPES
from harmonium.runs import table

PLACE = "<!-- results -->"


def _source_read(app: Sphinx, name: str, source: list[str]) -> None:
    if PLACE in source[0]:
        folder = Path(app.srcdir).parent / "results"
        recipe = Path(name).name
        if recipe in RECIPES:
            found = table.page(RECIPES, folder, recipe)
        else:
            found = table.markdown([{**row, "recipe": f"[{row['recipe']}]({row['recipe']}.md)"} for row in table.rows(RECIPES, folder)])
        source[0] = source[0].replace(PLACE, found)
        for path in folder.glob("*.json"):
            app.env.note_dependency(str(path))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", _source_read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
