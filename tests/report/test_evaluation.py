"""The figure of a likelihood: its dots and bars stand at the estimates, and the whole sentence stands below."""

import io

import numpy as np
import pytest
import torch

from harmonium.likelihood import Estimate, Evaluation
from harmonium.likelihood.log_z_by_raise import RaiseEstimate
from harmonium.report import evaluation

TRUST = "Take this figure as optimistic: " + "agreement is no evidence about a mode that no chain reached; " * 4 + "look for one."


def estimate(log_z, error, ess):
    return Estimate(log_z, error, ess, torch.zeros(100))


def estimated(**figures):
    common = {"nats": -84.5, "case_error": 0.3, "log_z": 450.0, "log_z_error": 0.4, "exact": False, "bound": False, "cases": 10000}
    ways = {"short": estimate(449.0, 0.8, 12.0), "long": estimate(450.0, 0.4, 55.0), "reverse": estimate(450.5, 0.2, 60.0)}
    return Evaluation(**{**common, "trust": TRUST, "chains": 100, "betas": 1000, **ways, **figures})


def exact():
    return Evaluation(-84.5, 0.3, 450.0, 0.0, exact=True, bound=False, cases=500, trust="Exact: the only error is that of the cases.")


def drawn(figure):
    """Each row's dot, and its bars' ends, thin and thick."""
    (axes,) = figure.axes
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    bars = {}
    for line in axes.lines:
        if line.get_marker() != "o":
            bars.setdefault(line.get_ydata()[0], []).append(tuple(line.get_xdata()))
    return dots, bars


def test_dots_and_bars_stand_at_the_estimates():
    figure = evaluation(estimated())
    dots, bars = drawn(figure)
    assert [dot.get_xdata()[0] for dot in dots] == pytest.approx([-83.5, -84.5, -85.0])
    assert [dot.get_ydata()[0] for dot in dots] == [0, 1, 2]
    for place, (centre, error) in enumerate(((-83.5, 0.8), (-84.5, 0.4), (-85.0, 0.2))):
        whole, thick = bars[place]
        assert np.array(thick) - centre == pytest.approx([-error, error])
        assert np.array(whole) - centre == pytest.approx([-np.hypot(error, 0.3), np.hypot(error, 0.3)])
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["AIS, 1,000 betas", "AIS, 4,000 betas", "second estimate: reverse AIS"]
    hollow = [dot.get_markerfacecolor() != dot.get_color() for dot in dots]
    assert hollow == [False, False, True]
    assert [text.get_text() for text in figure.axes[0].texts] == ["−83.50   ESS 12", "−84.50   ESS 55", "−85.00   ESS 60"]
    assert "10,000 cases" in figure.axes[0].get_xlabel()


def test_exact_and_tightened():
    dots, bars = drawn(evaluation(exact()))
    assert [dot.get_xdata()[0] for dot in dots] == [-84.5]
    assert bars[0] == [pytest.approx((-84.8, -84.2))]
    figure = evaluation(estimated(bound=True, tightened=(-84.1, 0.25)))
    dots, bars = drawn(figure)
    assert dots[-1].get_xdata()[0] == pytest.approx(-84.1)
    assert bars[3][0] == pytest.approx((-84.1 - np.hypot(0.4, 0.25), -84.1 + np.hypot(0.4, 0.25)))
    assert "bound on log p" in figure.axes[0].get_xlabel()


def test_raise_has_a_row_of_its_own():
    dots, bars = drawn(evaluation(estimated(raised=RaiseEstimate(452.0, 0.3, 100, 4000))))
    assert [dot.get_xdata()[0] for dot in dots] == pytest.approx([-83.5, -84.5, -85.0, -86.5])
    assert bars[3][1] == pytest.approx((-86.8, -86.2))


@pytest.mark.parametrize("found", [estimated(), exact(), estimated(case_error=float("inf")), estimated(bound=True, tightened=(-84.1, 0.2))])
def test_the_whole_sentence_is_on_the_page(found):
    figure = evaluation(found, title="The bottom RBM of digits")
    assert figure.get_figwidth() <= 9
    title, sentence = figure.texts
    assert title.get_text() == "The bottom RBM of digits"
    assert sentence.get_text().replace("\n", " ") == found.trust
    figure.savefig(io.BytesIO(), format="png")
    page = figure.bbox
    for text in (title, sentence, *figure.axes[0].texts, *figure.axes[0].get_yticklabels(), figure.axes[0].xaxis.label):
        box = text.get_window_extent()
        assert page.x0 <= box.x0 <= box.x1 <= page.x1
        assert page.y0 <= box.y0 <= box.y1 <= page.y1
    assert sentence.get_window_extent().y1 < figure.axes[0].xaxis.label.get_window_extent().y0
