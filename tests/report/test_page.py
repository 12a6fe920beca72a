"""The interactive page as a file: what is in it, what it refuses, and that nothing of a user's becomes a part of its code."""

import base64
import gzip
import json
import re

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.report.page.packed import Block
from tests.report.test_html import Page


def labelled_net(seed=0, pixels=64, first=20, second=16, top=24):
    """A net of pixels, two layers and a top machine with ten labels, with weights as large as learnt ones, its directions untied."""
    units = [hm.Bernoulli(size, values="probabilities") for size in (pixels, first, second)]
    layers = [
        hm.RBM(units[n], hm.Bernoulli(size), hm.Dense(units[n].shape, size, scale=0.3, seed=seed + n))
        for n, size in ((0, first), (1, second))
    ]
    beside = hm.Groups(hm.Bernoulli(second, values="probabilities"), hm.Softmax(1, categories=10))
    dbn = hm.DBN([*layers, hm.RBM(beside, hm.Bernoulli(top), hm.Dense(second + 10, top, scale=0.4, seed=seed + 2))], labels=True).untie()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in dbn.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return dbn


def parts(path):
    """The header and the block of a page."""
    source = path.read_text(encoding="utf-8")
    found = {name: re.search(rf'<script [^>]*id="{name}">(.*?)</script>', source, re.DOTALL).group(1) for name in ("header", "block")}
    return json.loads(found["header"]), gzip.decompress(base64.b64decode(found["block"]))


def tensor(where, block):
    """A tensor of the block, as the page is to read it."""
    count = int(np.prod(where["shape"]))
    found = np.frombuffer(block, dtype=where["kind"], count=count, offset=where["at"]).reshape(where["shape"]).astype(np.float32)
    return found if where["kind"] != "int8" else found * tensor(where["scales"], block)[:, None]


def test_nothing_outside_the_file_is_needed_and_no_other_script_may_run(tmp_path):
    path = hm.report.page(labelled_net(), tmp_path / "deep" / "page.html")
    source = path.read_text(encoding="utf-8")
    page = Page(source)
    for outside in ("http://", "https://", "url(", "@import", "innerHTML", "insertAdjacentHTML", "eval("):
        assert outside not in source
    assert {attributes.get("src") for attributes in page.all("script")} == {None}
    (policy,) = (each["content"] for each in page.all("meta") if each.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy.replace("style-src 'unsafe-inline'", "")
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))


def test_strings_are_shown_and_never_read_as_code(tmp_path):
    evil = '</script><script>alert("1")</script><!-- & \u2028'
    path = hm.report.page(labelled_net(), tmp_path / "page.html", title=evil, classes=[evil] * 10)
    page = Page(path.read_text(encoding="utf-8"))
    assert len(page.all("script")) == 4
    assert page.said("h1") == [evil.strip()]
    assert parts(path)[0]["classes"] == [evil] * 10


@pytest.mark.parametrize(("weights", "worst"), [("int8", 0.5 / 127), ("float16", 2**-11)])
def test_weights_are_rounded_no_more_than_their_type_needs(tmp_path, weights, worst):
    dbn = labelled_net()
    header, block = parts(hm.report.page(dbn, tmp_path / "page.html", weights=weights))
    top = dbn.top.coupling.weight.detach()
    wanted = [*(each.coupling.weight.detach() for each in dbn.recognition), top[:16], top[16:]]
    found = [tensor(link["up"], block) for link in header["links"]] + [tensor(header["labels"]["weight"], block)]
    for exact, near in zip(wanted, found, strict=True):
        assert (torch.from_numpy(near) - exact).abs().div(exact.abs().amax(1, keepdim=True)).max() <= worst * 1.001
    generated = [tensor(link["down"], block) for link in header["links"]]
    assert np.abs(generated[0] - dbn.generative[0].coupling.weight.detach().numpy()).max() < 0.02
    for layer, where in zip(dbn.recognition, header["up"], strict=False):
        assert np.array_equal(tensor(where, block), layer.unit.bias.detach().numpy())


def test_tied_weights_are_stored_once():
    weights, block = torch.ones(3, 2), Block()
    assert block.add(weights, "int8") is block.add(weights, "int8")
    tied = hm.DBN([hm.RBM(6, 5), hm.RBM(5, 4)])
    from harmonium.report.page.layered import layered

    assert all(link.up is link.down for link in layered(tied).links)
    assert layered(tied.untie()).links[0].up is not layered(tied.untie()).links[0].down


def test_the_same_net_gives_the_same_bytes(tmp_path):
    first, second = (hm.report.page(labelled_net(), tmp_path / name).read_bytes() for name in ("a.html", "b.html"))
    assert first == second


def test_ten_images_of_each_class_are_offered(tmp_path):
    digits = hm.data.digits.load()
    path = hm.report.page(labelled_net(), tmp_path / "page.html", images=digits.test_images, labels=digits.test_labels)
    header, block = parts(path)
    assert torch.bincount(torch.tensor(header["truth"])).tolist() == [10] * 10
    first = [int((digits.test_labels == label).nonzero()[0]) for label in range(10)]
    shown = tensor(header["images"], block)
    for label, case in enumerate(first):
        assert np.array_equal(shown[header["truth"].index(label)], digits.test_images[case].numpy())


@pytest.mark.parametrize(
    ("shape", "pixels", "wanted"),
    [(None, 64, [1, 8, 8]), ((4, 16), 64, [1, 4, 16]), ((3, 4, 5), 60, [3, 4, 5])],
)
def test_images_of_any_shape_grey_or_in_colour(tmp_path, shape, pixels, wanted):
    path = hm.report.page(hm.RBM(pixels, 5), tmp_path / "page.html", shape=shape)
    assert parts(path)[0]["shape"] == wanted


def test_what_cannot_be_shown_is_refused_in_a_sentence_before_anything_is_written(tmp_path):
    path = tmp_path / "page.html"
    rbm = hm.RBM(64, 5)
    for model, given, words in [
        (hm.RBM(hm.Bernoulli(4), hm.NoisyReLU(3)), {}, "hidden layers of Bernoulli units"),
        (hm.RBM(hm.Poisson(4), 3), {}, "data of Bernoulli or Gaussian units"),
        (hm.RBM(hm.Groups(hm.Bernoulli(4), hm.Softmax(1, categories=2)), 3), {}, r"hm\.DBN\(\[rbm\], labels=True\)"),
        (torch.nn.Linear(2, 2), {}, "shows an RBM, a DBN or a DBM, found Linear"),
    ]:
        with pytest.raises(TypeError, match=words):
            hm.report.page(model, path, **given)
    for given, words in [
        ({"shape": (8, 9)}, "64 pixels"),
        ({"weights": "int4"}, '"int8" or "float16"'),
        ({"classes": ["a"]}, "0 labels, found 1"),
        ({"images": torch.zeros(3, 64), "labels": torch.zeros(2, dtype=torch.long)}, "each of the 3 images"),
        ({"images": torch.full((3, 64), 7.0)}, "from 7 to 7"),
    ]:
        with pytest.raises(ValueError, match=words):
            hm.report.page(rbm, path, **given)
    with pytest.raises(ValueError, match="7 pixels"):
        hm.report.page(hm.RBM(7, 5), path)
    assert not path.exists()
