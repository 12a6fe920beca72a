"""The pages of the guide are tests: their Python runs, from top to bottom of each page."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted((DOCS / "guide").glob("*.md"))


SHAPE = re.compile(r"^(?:(\w+) = .*|print\(([\w.()/ ]+\.shape)\b.*\))  # \(((?:\d+, ?)*\d*)\)", flags=re.MULTILINE)


def blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_python_runs(page: Path) -> None:
    """Its assertions hold, and what a comment says is the shape of a line's result is its shape."""
    found = blocks(page)
    assert found
    names: dict[str, object] = {"__name__": page.stem}
    for block in found:
        try:
            exec(compile(block, page.name, "exec"), names)
        except FileNotFoundError as missing:
            if "HARMONIUM_DATA" not in str(missing):
                raise
            pytest.skip(f"the data of this page are not here: {missing}")
        for name, printed, shape in SHAPE.findall(block):
            tensor = names[name] if name else eval(printed, names)
            assert tuple(tensor.shape if name else tensor) == tuple(int(size) for size in shape.split(",") if size.strip()), shape


def test_the_first_page_has_the_first_example_of_the_readme() -> None:
    """Which runs as a test of the README's."""
    assert blocks(DOCS / "index.md") == blocks(DOCS.parent / "README.md")[:1]
