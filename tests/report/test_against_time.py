"""The figure of nats against seconds: its points stand where they should, its names beside their lines, its levels across."""

import io
from itertools import pairwise

import numpy as np
import pytest

from harmonium.report import against_time

CURVES = {"ours": [(2.0, -150.0), (20.0, -100.0), (60.0, -90.0)], "theirs": [(2.0, -210.0), (60.0, -120.0)]}
LEVELS = {"published": -86.34}


def lines(figure):
    """Those of the curves, then those of the levels."""
    (axes,) = figure.axes
    drawn = list(axes.lines)
    return [line for line in drawn if line.get_marker() == "o"], [line for line in drawn if line.get_marker() != "o"]


def names(figure):
    """The vertical place of each name, in data units."""
    return {text.get_text(): text.xy[1] for text in figure.axes[0].texts}


def test_points_and_levels_stand_at_their_values():
    figure = against_time(CURVES, LEVELS)
    curves, levels = lines(figure)
    assert [list(zip(*line.get_data(), strict=True)) for line in curves] == list(CURVES.values())
    assert [set(line.get_ydata()) for line in levels] == [{-86.34}]
    assert figure.axes[0].get_xscale() == "log"
    assert len({line.get_color() for line in curves}) == 2


def test_names_stand_at_the_ends_in_the_colours_of_their_lines():
    figure = against_time(CURVES, LEVELS)
    assert names(figure) == pytest.approx({"ours": -90.0, "theirs": -120.0, "published": -86.34}, abs=8)
    colours = {text.get_text(): text.get_color() for text in figure.axes[0].texts}
    ours, theirs = lines(figure)[0]
    assert colours["ours"] == ours.get_color()
    assert colours["theirs"] == theirs.get_color()


@pytest.mark.parametrize("end", [-90.0, -120.0, -200.0, -300.0])
def test_names_do_not_overlap(end):
    """Eight lines that end together, even below the floor: in order, each a line of type below the one before, within the page."""
    curves = {f"contender {k}": [(2.0, -210.0), (60.0, end - 0.01 * k)] for k in range(8)}
    figure = against_time({"best": [(2.0, -150.0), (60.0, -89.0)], **curves}, floor=-200.0)
    figure.savefig(io.BytesIO())
    texts = figure.axes[0].texts
    assert [text.get_text() for text in texts] == ["best", *curves]
    boxes = [text.get_window_extent() for text in texts]
    for upper, lower in pairwise(boxes):
        assert upper.y0 >= lower.y1 - 1
    assert boxes[-1].y0 >= 0
    assert boxes[0].y1 <= figure.bbox.y1


def test_names_and_ticks_are_inside_the_page():
    curves = {"a library with a rather long name, as documented": CURVES["ours"], **CURVES}
    figure = against_time(curves, LEVELS, title="Nats against seconds")
    figure.savefig(io.BytesIO())
    page = figure.bbox
    for text in figure.axes[0].texts:
        box = text.get_window_extent()
        assert box.x1 <= page.x1
        assert box.y0 >= page.y0
        assert box.y1 <= page.y1


def test_seconds_become_minutes_and_hours():
    figure = against_time({"long": [(1.0, -150.0), (90.0, -90.0), (7200.0, -85.0)]})
    figure.canvas.draw()
    axes = figure.axes[0]
    low, high = axes.get_xlim()
    places = zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
    shown = [label.get_text() for place, label in places if low <= place <= high]
    assert shown[:8] == ["1 s", "3 s", "10 s", "30 s", "1 min", "3 min", "10 min", "30 min"]
    assert shown[8] == "1 h"


def test_a_floor_cuts_off_what_is_below():
    low, high = against_time(CURVES, floor=-130.0).axes[0].get_ylim()
    assert low == -130
    assert high > -90
    assert against_time(CURVES).axes[0].get_ylim()[0] < -210
    below = against_time({**CURVES, "hopeless": [(2.0, -300.0), (60.0, -250.0)]}, floor=-130.0)
    assert -150 < names(below)["hopeless"] <= -130
    assert below.axes[0].get_ylim()[0] == -130


def test_values_that_are_not_finite_leave_a_gap():
    figure = against_time({"diverged": [(2.0, -150.0), (20.0, float("nan")), (60.0, float("-inf"))], **CURVES})
    values = lines(figure)[0][0].get_ydata()
    assert np.isfinite(values).tolist() == [True, False, False]
    assert names(figure)["diverged"] == pytest.approx(-150, abs=8)
    assert set(names(against_time({"nothing": [(2.0, float("nan"))], **CURVES}))) == {"ours", "theirs"}


@pytest.mark.parametrize("curves", [{}, {"ours": []}])
def test_there_must_be_something_to_draw(curves):
    with pytest.raises(ValueError, match="at least one"):
        against_time(curves)


def test_time_begins_after_zero():
    with pytest.raises(ValueError, match="above zero"):
        against_time({"ours": [(0.0, -206.0), (2.0, -150.0)]})
