"""The map of slides and references leads somewhere, and leaves nothing out."""

import re
from pathlib import Path

import harmonium as hm

DOCS = Path(__file__).parents[1] / "docs"
MAP = (DOCS / "slides.md").read_text()


def test_every_page_that_it_links_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[\w-]+)?\)", MAP):
        assert (DOCS / target).exists(), target


def test_every_script_of_the_gallery_is_on_it() -> None:
    linked = set(re.findall(r"gallery/(plot_\w+)\.py", MAP))
    assert {path.stem for path in (DOCS / "gallery").glob("plot_*.py")} <= linked
    assert {int(name[5:7]) for name in linked} >= set(range(1, 17))


def test_every_name_that_it_gives_exists() -> None:
    for name in re.findall(r"`hm\.([\w.]+)`", MAP):
        found: object = hm
        for part in name.split("."):
            found = getattr(found, part)


def test_the_paper_has_twenty_one_references() -> None:
    references = MAP.split("## The paper's references")[1]
    assert len([line for line in references.splitlines() if line.startswith("| ")]) == 21 + 2
