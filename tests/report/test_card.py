"""What notebooks show: self-contained, escaped, and with the numbers of the object."""

import base64
import io
import math
import re
import sys
import types
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image

import harmonium as hm
from harmonium import report
from harmonium.notebook import in_notebook

ROWS = torch.eye(6).repeat(10, 1)
VOID = {"img"}


class Parsed(HTMLParser):
    """Checks that tags are balanced, and collects the text of cells."""

    def __init__(self, text):
        super().__init__()
        self.open, self.cells, self.within, self.addresses = [], [], False, []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert tag not in ("script", "link", "iframe")
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["td"]:
            self.cells[-1] += data


def parsed(value):
    found = Parsed(value._repr_html_())
    assert all(address.startswith("data:image/png;base64,") for address in found.addresses)
    return found


@pytest.fixture(scope="module")
def learnt():
    rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    state = hm.fit(rbm, ROWS, negative=hm.PersistentCD(chains=20), epochs=4, validation=ROWS[:10], batch_size=20, progress=False)
    return rbm, state


def models():
    yield hm.RBM(64, 50), ["hidden", "50 Bernoulli", "", "↕ Dense, 3,200 weights", "visible", "64 Bernoulli"]
    yield hm.RBM(hm.Gaussian((3, 5, 5)), hm.Bernoulli(4), hm.Dense((3, 5, 5), 4)), ["visible", "3 × 5 × 5 Gaussian"]
    yield hm.RBM(hm.ReplicatedSoftmax(9), 4), ["visible", "9 ReplicatedSoftmax"]
    yield hm.RBM(hm.Bernoulli(5), hm.Bernoulli(3), hm.Conditional(hm.Dense(5, 3), 2)), ["", "↕ Conditional, 31 weights"]
    convolution = hm.Convolutional((1, 6, 6), 2, kernel=3)
    yield hm.RBM(hm.Bernoulli((1, 6, 6)), hm.Bernoulli((2, 4, 4)), convolution), ["hidden", "2 × 4 × 4 Bernoulli"]
    yield hm.DBN([hm.RBM(6, 5), hm.RBM(5, 4)]), ["top, hidden", "4 Bernoulli", "data", "6 Bernoulli"]
    yield hm.DBM([hm.Bernoulli(6), hm.Bernoulli(4), hm.Bernoulli(3)]), ["layer 2", "3 Bernoulli", "layer 1", "4 Bernoulli", "data"]
    yield hm.SigmoidBeliefNet([hm.Bernoulli(6), hm.Bernoulli(4)]), ["layer 1", "4 Bernoulli", "data", "6 Bernoulli"]
    yield hm.BoltzmannMachine(hm.Bernoulli(4), hm.Bernoulli(2)), ["visible", "4 Bernoulli", "hidden", "2 Bernoulli"]
    yield hm.Mixture([hm.Bernoulli(4), hm.RBM(4, 2)]), ["expert 1", "4 Bernoulli", "expert 2", "RBM of 4 Bernoulli and 2 Bernoulli"]
    yield hm.CommunityOfExperts(6, [4, 2]), ["layer 2", "2 experts", "layer 1", "data", "6 Gaussian"]
    analysers = hm.MixtureOfFactorAnalysers(6, 3, 2)
    yield analysers, ["mixture", "3 × 2 factors of 6 units"]
    yield hm.DeepMixtureOfFactorAnalysers(analysers, 4, 1), ["each prior", "4 × 1 factors of 2 units", "base"]


@pytest.mark.parametrize(("model", "cells"), list(models()), ids=lambda value: type(value).__name__)
def test_a_model_is_a_table_of_its_layers(model, cells):
    found = parsed(model).cells
    places = [found.index(cell) for cell in cells if cell]
    assert places == sorted(places)
    assert f"{sum(p.numel() for p in model.parameters()):,} parameters" in model._repr_html_()


def test_the_picture_is_of_the_weights():
    """A unit with one weight: in its tile one pixel is red."""
    rbm = hm.RBM(hm.Bernoulli((4, 4)), hm.Bernoulli(1), hm.Dense((4, 4), 1, scale=0.0))
    with torch.no_grad():
        rbm.coupling.weight.view(-1)[5] = 1.0
    (address,) = parsed(rbm).addresses
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGB")).astype(int)
    red = (image[..., 0] - image[..., 2]) > 60
    assert 0.01 < red.mean() < 0.1  # one of sixteen, less the margins


def test_a_state_shows_its_metrics_and_no_dump(learnt):
    _, state = learnt
    found, html = parsed(state), state._repr_html_()
    last = state.history[-1]
    assert f"{last['reconstruction_error']:.4g}" in found.cells
    assert "PersistentCD(chains=20, steps=1, sampler=Gibbs())" in found.cells
    assert "12 in 4 epochs" in html
    assert len(re.findall("<polyline", html)) == len([name for name in last if name not in ("epoch", "step", "seconds")])
    assert len(html) < 6000
    assert len(repr(state)) < 300
    assert "epoch 4, update 12: error" in repr(state)
    fresh = hm.fit(hm.RBM(6, 4), ROWS, epochs=0, progress=False)
    assert "No epoch is complete yet." in fresh._repr_html_()
    many = hm.fit(hm.Replicas([hm.RBM(6, 4, seed=seed) for seed in range(3)]), ROWS, epochs=2, progress=False)
    assert not any("." in cell and "reconstruction" in cell for cell in parsed(many).cells)  # means, not each replica


def test_a_curve_runs_from_left_to_right_and_upwards():
    from harmonium.report.card_page import HEIGHT, WIDTH, curve

    points = re.search('points="(.*?)"', curve([0.0, 1.0, math.nan, 3.0, 2.0], "up"))[1].split()
    assert points == [f"2.0,{HEIGHT - 2:.1f}", f"{2 + (WIDTH - 4) / 4:.1f},{2 + (HEIGHT - 4) * 2 / 3:.1f}"]
    assert len(re.findall("polyline", curve([0.0, 1.0, math.nan, 3.0, 2.0], "up"))) == 2
    assert curve([1.0], "one") == ""
    assert len(curve(list(range(10_000)), "long")) < 4000


def test_estimates_and_evaluations_show_their_numbers(learnt):
    rbm, _ = learnt
    estimate = hm.likelihood.ais(rbm, seed=0, chains=20, betas=50)
    html = estimate._repr_html_()
    assert f"{estimate.log_z:.3f} ± {estimate.standard_error:.2g} nats" in html
    assert f"{estimate.ess:.1f} of 20 chains" in html
    exact = hm.likelihood.evaluate(rbm, ROWS)
    assert exact.trust.split(",")[0] in exact._repr_html_()
    assert f"log p: {exact.nats:.2f} ±" in exact._repr_html_()
    sampled = hm.likelihood.evaluate(rbm, ROWS, exact=False, chains=10, betas=20)
    assert {row.name for row in sampled.rows()} <= set(parsed(sampled).cells)
    assert sampled.verdict in sampled._repr_html_()
    bound = hm.likelihood.dbn_bound(hm.DBN([rbm, hm.RBM(4, 3)]), ROWS[:6], log_z=2.0, samples=3)
    assert f"{bound.mean:.4g}" in parsed(bound).cells
    draws = rbm.gibbs(ROWS, steps=5, generator=torch.Generator().manual_seed(0))
    assert "log Z" in hm.likelihood.bridge(rbm, rbm, draws, draws)._repr_html_()


def test_text_is_escaped(learnt):
    _, state = learnt
    rows = [("<b>", "a & b")]
    html = report.card_page.page("<i>", rows, note="<script>", head="<u>")
    assert "&lt;b&gt;" in html
    assert "a &amp; b" in html
    assert not any(f"<{tag}>" in html for tag in ("b", "i", "u", "script"))
    state.history[-1]["<img src=x>"] = 1.0
    assert "<img src=x>" not in state._repr_html_()
    del state.history[-1]["<img src=x>"]


def test_there_is_no_card_of_anything_else():
    with pytest.raises(TypeError, match="found int"):
        report.card(3)


def test_figures_and_films_are_pictures_of_their_own():
    weight = hm.RBM(16, 4).coupling.weight
    assert weight.requires_grad
    figures = [report.filters(weight, (4, 4)), report.learning_curves({"a": [{"loss": 1.0}, {"loss": 2.0}]}), report.learning_curves({})]
    for shown in (*figures, report.film(torch.rand(2, 3, 4, 4), columns=2)):
        assert shown._repr_png_().startswith(b"\x89PNG")


def test_figures_take_whatever_holds_numbers():
    images = torch.rand(3, 4, 4, requires_grad=True)
    for each in (images, images.bfloat16(), list(images), images.detach().numpy().tolist(), images * 2):
        report.image_grid(each, columns=3)
    report.before_after(images[:2].reshape(16, 2), images[:2].reshape(16, 2) * 2, (4, 4))
    report.confusion(torch.tensor([[3, 1], [0, 2]]), "ab")


@pytest.mark.parametrize(("shape", "axis"), [((3, 4, 5), 0), ((4, 5, 3), 2)])
def test_colour_filters(shape, axis):
    """A weight of red alone makes its pixel red, and all others stay grey."""
    weights = np.zeros((60, 1))
    weights[np.ravel_multi_index(tuple(np.insert([2, 3], axis, 0)), shape)] = 1
    (image,) = report.filters(weights, shape).axes[0].images
    pixels = np.asarray(image.get_array())
    red = (pixels == [1.0, 0.5, 0.5]).all(-1)
    assert np.argwhere(red).tolist() == [[3, 4]]  # the sheet has a gap of one pixel around the tile
    assert (pixels == 0.5).all(-1).sum() == 19


def test_a_shape_that_does_not_say_which_axis_is_of_the_colours_is_refused():
    assert len(report.filters(np.eye(16), (1, 4, 4)).axes) == 1
    for shape in ((3, 4, 3), (4, 5, 4), (2, 2, 2, 2)):
        with pytest.raises(ValueError, match="one axis of the colours"):
            report.filters(np.zeros((math.prod(shape), 2)), shape)
    with pytest.raises(ValueError, match="4 by 5 by 3"):
        report.filters(np.zeros((10, 2)), (4, 5, 3))


class Display:
    """Stands for IPython's display."""

    def __init__(self):
        self.pages = []

    def HTML(self, page):
        return page

    def display(self, page, display_id):
        assert display_id
        self.pages.append(page)
        return types.SimpleNamespace(update=self.pages.append)


def test_a_notebook_has_a_bar(monkeypatch):
    from harmonium.learning.loop import notebook_bar

    shown, shell = Display(), type("ZMQInteractiveShell", (), {})()
    assert not in_notebook()
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    assert in_notebook()
    hm.fit(hm.RBM(6, 4), ROWS, epochs=2)
    assert shown.pages == []  # it ended within a second
    monkeypatch.setattr(notebook_bar, "DELAY", 0.0)
    hm.fit(hm.RBM(6, 4), ROWS, epochs=3, batch_size=20, callbacks=hm.Progress("<digits>"), progress=False)
    assert shown.pages
    assert 'value="9" max="9"' in shown.pages[-1]
    assert "epoch 3/3  error" in shown.pages[-1]
    assert "&lt;digits&gt;" in shown.pages[-1]
    shell = type("TerminalInteractiveShell", (), {})()
    assert not in_notebook()
