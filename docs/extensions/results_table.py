"""The table of recorded results where a page has `<!-- results -->`, from results/*.json as the README's is."""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx

from harmonium.recipes import record

PLACE = "<!-- results -->"


def _source_read(app: Sphinx, name: str, source: list[str]) -> None:
    if PLACE in source[0]:
        folder = Path(app.srcdir).parent / "results"
        rows = [{**row, "recipe": f"[{row['recipe']}]({row['recipe']}.md)"} for row in record.table(folder)]
        source[0] = source[0].replace(PLACE, record.markdown(rows))
        for path in folder.glob("*.json"):
            app.env.note_dependency(str(path))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", _source_read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
