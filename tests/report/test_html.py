"""The report stands alone, escapes what it is given and replaces an older one only when it is whole."""

import base64
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from harmonium.report import Headline, Section, image_grid, write_report

VOID = {"meta", "img", "source", "link", "br", "hr", "input"}


class Page(HTMLParser):
    """Elements with their attributes and, by path, the text; fails on tags that do not nest."""

    def __init__(self, source):
        super().__init__()
        self.elements, self.text, self.open = [], [], []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.text.append((self.open[-1] if self.open else "", data.strip()))

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def said(self, tag):
        return [text for inside, text in self.text if inside == tag]


@pytest.fixture
def figure():
    return image_grid(np.arange(36.0).reshape(4, 3, 3), columns=2)


def report(path, figure, **changes):
    options = {
        "title": "A deep belief net",
        "summary": "First paragraph.\n\nSecond one.",
        "sections": [
            Section("Learning", "It learnt.", [(figure, "Receptive fields & such")]),
            Section("Layers", table=[{"layer": 1, "error": 0.123456}, {"layer": 2, "note": "tied"}]),
            Section("Errors"),
        ],
        "facts": {"seed": 3, "seconds": 12.5, "machine": "one CPU", "command": "harmonium run digits --seed 3"},
        "headline": [Headline("test error", 1.25, 1.24666, "%", "Hinton, Osindero & Teh (2006)")],
        "settings": {"epochs": 20, "schedule": None},
    }
    return write_report(path, **(options | changes))


def test_nothing_outside_the_file_is_needed(tmp_path, figure):
    path = report(tmp_path / "deep" / "report.html", figure)
    source = path.read_text(encoding="utf-8")
    page = Page(source)
    assert "http://" not in source
    assert "https://" not in source
    assert "url(" not in source
    assert "@import" not in source
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.elements}
    for _, attributes in page.elements:
        assert attributes.get("src", "data:").startswith("data:")
        assert attributes.get("href", "#").startswith("#")


def test_figures_are_embedded_with_their_caption_as_alternative_text(tmp_path, figure):
    page = Page(report(tmp_path / "report.html", figure).read_text(encoding="utf-8"))
    (image,) = page.all("img")
    kind, _, data = image["src"].partition(",")
    assert kind == "data:image/png;base64"
    png = base64.b64decode(data, validate=True)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
    assert (width, height) == tuple((figure.get_size_inches() * 110).astype(int))
    assert image["alt"] == "Receptive fields & such"
    assert page.said("figcaption") == ["Receptive fields & such"]


def test_tables_say_what_they_are_given(tmp_path, figure):
    page = Page(report(tmp_path / "report.html", figure).read_text(encoding="utf-8"))
    assert page.said("h1") == ["A deep belief net"]
    assert page.said("h2") == ["Learning", "Layers", "Errors", "Settings", "To reproduce"]
    assert page.said("p") == ["First paragraph.", "Second one.", "It learnt."]
    assert page.said("th") == [
        *("metric", "published", "ours", "unit", "source"),
        "test error",
        *("layer", "error", "note"),
        *("epochs", "schedule"),
        *("seed", "seconds", "machine", "command"),
    ]
    assert page.said("td") == [
        *("1.25", "1.247", "%", "Hinton, Osindero & Teh (2006)"),
        *("1", "0.1235", "–"),
        *("2", "–", "tied"),
        *("20", "–"),
        *("3", "12.5", "one CPU", "harmonium run digits --seed 3"),
    ]
    targets = {attributes.get("id") for attributes in page.all("section")}
    assert {link["href"].removeprefix("#") for link in page.all("a")} <= targets


def test_a_report_needs_no_section_headline_or_setting(tmp_path):
    page = Page(write_report(tmp_path / "r.html", title="t", summary="", sections=[], facts={}).read_text("utf-8"))
    assert page.all("table") == []
    assert page.said("h2") == []


def test_markup_is_shown_and_never_run(tmp_path, figure):
    bad = "<script>alert('x')</script>\"><b>"
    path = report(
        tmp_path / "report.html",
        figure,
        title=bad,
        summary=bad,
        sections=[Section(bad, bad, [(figure, bad)], [{bad: bad}])] * 3,
        facts={bad: bad},
        headline=[Headline(bad, bad, bad, bad, bad)],
        settings={bad: bad},
    )
    source = path.read_text(encoding="utf-8")
    page = Page(source)
    assert "<script" not in source
    assert not {"script", "b"} & {tag for tag, _ in page.elements}
    assert page.said("h1") == page.said("title") == [bad]
    assert [image["alt"] for image in page.all("img")] == [bad] * 3


def test_a_report_is_replaced_whole(tmp_path, figure):
    path = report(tmp_path / "report.html", figure)
    report(path, figure, title="The next run")
    assert Page(path.read_text(encoding="utf-8")).said("h1") == ["The next run"]
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_the_same_report_has_the_same_bytes(tmp_path, figure):
    assert report(tmp_path / "a.html", figure).read_bytes() == report(tmp_path / "b.html", figure).read_bytes()


class BrokenFigure:
    def savefig(self, *_, **__):
        raise RuntimeError("cannot draw")


def test_a_failing_render_leaves_the_old_report(tmp_path, figure):
    path = report(tmp_path / "report.html", figure)
    old = path.read_bytes()
    with pytest.raises(RuntimeError, match="cannot draw"):
        report(path, figure, sections=[Section("Broken", figures=[(BrokenFigure(), "none")])])
    assert path.read_bytes() == old
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_a_failing_write_leaves_the_old_report(tmp_path, figure, monkeypatch):
    path = report(tmp_path / "report.html", figure)
    old = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        report(path, figure, title="The next run")
    assert path.read_bytes() == old
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_a_table_has_no_empty_column(tmp_path: Path) -> None:
    section = Section("Table", table=[{"model": "ours", "error": 2.0, "note": ""}, {"model": "theirs", "error": 3.0, "note": None}])
    headline = [Headline("error", None, 2.0, "%", "")]
    text = write_report(tmp_path / "r.html", title="t", summary="s", headline=headline, sections=[section], facts={}).read_text()
    assert ">error</th>" in text
    assert not any(f">{name}</th>" in text for name in ("published", "source", "note"))
    headline = [Headline("error", "1.2", 2.0, "%", "Hinton 2006")]
    text = write_report(tmp_path / "r.html", title="t", summary="s", headline=headline, sections=[section], facts={}).read_text()
    assert all(f">{name}</th>" in text for name in ("published", "source"))
