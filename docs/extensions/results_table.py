"""Recorded results where a page has `<!-- results -->`, from results/*.json as the README's table is.

On a recipe's own page every figure, each likelihood with the sentence on how far to trust it, and what was superseded and why; on other
pages the headlines of all recipes. The README has a few of these, `CHOSEN`; run as a program, this file writes them there.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from harmonium.recipes import RECIPES
from harmonium.runs import table

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PLACE = "<!-- results -->"
ROOT = Path(__file__).parents[2]
CHOSEN = (  # recipe, setting, metric: what the README shows, whatever it turns out to be
    ("mnist-rbm", "full, learnt from fixed pixels", "test nats fixed stochastic"),
    ("mnist-exact", "full", "test nats pcd 20 hidden"),
    ("mnist-dbn-bound", "full, bfloat16", "test bound nats"),
    ("mnist-dbm", "full, the bound alone, bfloat16", "test bound nats"),
    ("mnist-autoencoder", "full, bfloat16", "test squared error"),
    ("mnist-joint", "full", "test error percent"),
    ("mnist-dbn", "full", "test error percent"),
    ("mnist-dbn", "full", "test dropout error percent"),
)


def headlines(folder: Path = ROOT / "results") -> list[dict[str, str]]:
    """The README's rows, in their order, of those that the site's long table has."""
    found = {(row["recipe"], row["setting"], row["metric"]): row for row in table.rows(RECIPES, folder)}
    return [found[name] for name in CHOSEN if name in found]


def write_readme(path: Path = ROOT / "README.md") -> None:
    """Puts the rows between the README's two marks."""
    text = path.read_text()
    made = f"{PLACE}\n{table.markdown(headlines())}\n<!-- /results -->"
    path.write_text(re.sub(f"{PLACE}\n.*?<!-- /results -->", lambda _: made, text, flags=re.DOTALL))


def _source_read(app: Sphinx, name: str, source: list[str]) -> None:
    if PLACE in source[0]:
        folder = Path(app.srcdir).parent / "results"
        recipe = Path(name).name
        if recipe in RECIPES:
            found = table.page(RECIPES, folder, recipe)
        else:
            found = table.markdown([{**row, "recipe": f"[{row['recipe']}]({row['recipe']}.md)"} for row in table.rows(RECIPES, folder)])
        source[0] = source[0].replace(PLACE, found)
        app.env.note_dependency(__file__)
        for path in folder.glob("*.json"):
            app.env.note_dependency(str(path))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", _source_read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    write_readme()
