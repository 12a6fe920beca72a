"""What makes the site and its first pages right, as far as it can be checked without making it."""

import re
import sys
from pathlib import Path

import pytest

import harmonium as hm
from harmonium.recipes import RECIPES
from harmonium.report.page import document, held_by

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SOURCES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("guide/*.md")), *sorted(DOCS.glob("recipes/*.md"))]
COLUMNS = 140  # of code that fits the site's column on a wide screen, as in the sources


def test_the_citation_is_of_this_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.search(r"^cff-version: 1\.2\.0$", citation, flags=re.MULTILINE)
    (version,) = re.findall(r"^version: (\S+)$", citation, flags=re.MULTILINE)
    assert version == hm.__version__


def test_the_changelog_has_this_version() -> None:
    assert re.search(rf"^## {re.escape(hm.__version__)}\b", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)


def test_every_recipe_has_an_entry_with_a_picture_and_a_page() -> None:
    index = (DOCS / "recipes" / "index.md").read_text()
    for recipe in RECIPES:
        entry = re.search(rf"^\| !\[[^\]]+\]\(([^)]+)\) \| \*\*\[{recipe}\]\({recipe}\.md\)\*\*: \S.+ \|$", index, flags=re.MULTILINE)
        assert entry is not None, recipe
        assert (DOCS / "recipes" / entry[1]).exists(), entry[1]
        assert (DOCS / "recipes" / f"{recipe}.md").read_text().count("<!-- results -->") == 1


@pytest.mark.parametrize("page", SOURCES, ids=lambda page: page.stem)
def test_its_pictures_and_pages_are_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[\w-]+)?\)", page.read_text()):
        if "://" not in target and not target.startswith("/"):
            made = re.sub(r"auto_gallery/index\.rst$", "gallery/README.rst", target)
            assert (page.parent / made).exists(), target


@pytest.mark.parametrize("page", SOURCES, ids=lambda page: page.stem)
def test_no_line_of_code_is_wider_than_the_column(page: Path) -> None:
    for block in re.findall(r"^```\w*\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.MULTILINE):
        assert max(map(len, block.splitlines()), default=0) <= COLUMNS


def test_the_first_picture_is_small_enough_for_a_first_screen() -> None:
    picture = re.search(r"!\[[^\]]*\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert picture is not None
    assert (ROOT / picture[1]).stat().st_size < 1_500_000


def test_the_page_of_a_net_has_the_present_code_and_is_small() -> None:
    path = DOCS / "static" / "net.html"
    source = path.read_text(encoding="utf-8")
    assert document(*held_by(source)) == source, "renew it: python docs/images/make_page_pictures.py"
    assert path.stat().st_size <= 3_500_000
    assert "../_static/net.html" in (DOCS / "extensions" / "live_net.py").read_text()


def contrast(one: str, other: str) -> float:
    """Of two colours #rrggbb, by the W3C's definition."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light_css_variables", "dark_css_variables"])
def test_the_colours_of_text_can_be_read(scheme: str) -> None:
    """Every colour of text that the theme is given, on each background that text may stand on."""
    configuration = (DOCS / "conf.py").read_text()
    (block,) = re.findall(rf'"{scheme}": \{{(.*?)\}}', configuration, flags=re.DOTALL)
    colours = dict(re.findall(r'"([\w-]+)": "(#[0-9a-f]{6})"', block))
    grounds = [colour for name, colour in colours.items() if "background" in name]
    texts = {name: colour for name, colour in colours.items() if "background" not in name}
    assert len(grounds) >= 2
    assert len(texts) >= 4
    for name, colour in texts.items():
        for ground in grounds:
            assert contrast(colour, ground) >= 4.5, (name, ground)


def test_main_names_and_advanced_ones_are_all_of_a_room() -> None:
    sys.path.insert(0, str(DOCS / "extensions"))
    try:
        public_names = pytest.importorskip("public_names", reason="Sphinx, of the docs extra")
    finally:
        sys.path.pop(0)
    for page in DOCS.glob("api/*.rst"):
        for room, main in re.findall(r"^\.\. public-names:: (\w+)\n(?:   :main: (.+)\n)?", page.read_text(), flags=re.MULTILINE):
            first, advanced, unknown = public_names.parts(room, main.split())
            assert not unknown
            assert first
            assert {name for name, _ in first} | {name for name, _ in advanced} == {name for name, _ in public_names.public(room)}
