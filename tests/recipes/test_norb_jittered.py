"""The norb-jittered recipe: who is held out and judged on, layers as layers of a net, the figures by hand, and every step on squares."""

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import binom
from sklearn.linear_model import LogisticRegression

from harmonium import RBM, cli
from harmonium.data import norb, toy_objects
from harmonium.data.norb import Norb, Pairs
from harmonium.data.toys import cluttered
from harmonium.data.toys import some_jittered as drawing
from harmonium.data.toys.some_jittered import some_jittered
from harmonium.recipes.norb_jittered import jittered_views, tuned_nets
from harmonium.recipes.norb_jittered.jittered_views import Drawn, cases_of, drawn, load
from harmonium.recipes.norb_jittered.pictures import beside
from harmonium.recipes.norb_jittered.recipe import PUBLISHED, NorbJittered
from harmonium.recipes.norb_jittered.tuned_nets import STARTS, learnt_layers, net_of, unstandardised
from harmonium.recipes.norb_jittered.wrong_pairs import KINDS, metrics
from harmonium.recipes.shared.feature_layers import Features, machine
from harmonium.recipes.shared.norb_views import Views
from harmonium.runs.folder import Run
from harmonium.seeds import derive
from harmonium.units import Gaussian, NoisyReLU

pytestmark = pytest.mark.filterwarnings("ignore::harmonium.Advice")
HOW = Features(units=12, epochs=2, gain=1.0, gain_above=1.0, learning_rate=1e-3, rate_above=1e-3, batch_size=20)


def pairs_of(toys: tuple[int, ...], each: int) -> Pairs:
    """Pairs of noise, a sixth of which show nothing."""
    facts = [(category, toy) for category in range(5) for toy in toys for _ in range(each)] + [(5, -1)] * (len(toys) * each)
    categories, numbers = torch.tensor(facts).unbind(1)
    images = torch.randint(256, (len(facts), 2, 108, 108), generator=torch.Generator().manual_seed(len(toys)), dtype=torch.uint8)
    blank = torch.zeros(len(facts))
    return Pairs(images, categories, numbers, blank, blank, blank.long(), blank[:, None][:, :0])  # type: ignore[arg-type]


@pytest.fixture
def few_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Squares in place of toys, and two grounds: drawing them takes no time."""

    def square(toy: object, where: object, lightings: object, side: int) -> np.ndarray:
        found = np.zeros((1, 1, 1, 2, 2, side, side), dtype=np.float32)
        found[..., 0, 40:70, 40:70], found[..., 1, 40:70, 40:70] = 250, 1
        return found

    monkeypatch.setattr(drawing, "layers", square)
    monkeypatch.setattr(cluttered, "layers", square)
    monkeypatch.setattr(cluttered, "GROUNDS", 2)


@pytest.mark.usefixtures("few_layers")
def test_a_sixth_of_what_is_drawn_shows_no_toy_and_toys_are_those_of_the_part() -> None:
    found = list(some_jittered("testing", 2, 3, 0))
    assert all(pairs.shape == (6, 2, 108, 108) for pairs, _, _ in found)
    shown = [(category, toy) for _, category, toy in found if category < 5]
    assert shown == [(category, toy) for category in range(5) for toy in norb.TOYS["testing"]]
    assert [(category, toy) for _, category, toy in found if category == 5] == [(5, -1)] * 5
    first, again, other = (next(some_jittered("testing", 2, 3, seed))[0] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(np.unique(first.reshape(6, -1), axis=0)) == 6  # each copy before a clutter of its own


def test_views_are_those_of_norb_where_its_files_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = Norb(pairs_of(norb.TOYS["training"], 2), pairs_of(norb.TOYS["testing"], 1))
    monkeypatch.setattr(jittered_views, "real", lambda *arguments: pairs)
    found, toys = load(Run.begin("norb-jittered", NorbJittered(out=tmp_path)), "auto", None, 1000, Drawn(1, 1, 1), 0)
    assert (len(found.pixels), int(found.training.sum()), toys) == (90, 60, False)
    place = int((found.categories == 3).nonzero()[0])
    images = torch.as_tensor(pairs.train.images[pairs.train.categories == 3]).float()
    shrunk = torch.nn.functional.adaptive_avg_pool2d(images[..., 2:-2, 2:-2], 1).flatten(1)  # as a whole they have the same grey
    assert float((found.pixels[place].reshape(2, -1).mean(1) - shrunk).abs().sum(1).min()) < 1
    monkeypatch.setattr(jittered_views, "real", lambda *arguments: None)
    monkeypatch.setattr(toy_objects, "load", lambda kind: pairs if kind == "jittered" else None)
    whole, toys = load(Run.begin("norb-jittered", NorbJittered(out=tmp_path)), "auto", None, 1000, None, 0)
    assert torch.equal(whole.pixels, found.pixels)
    assert toys


@pytest.mark.usefixtures("few_layers")
def test_nobody_is_on_two_sides_and_a_fifth_of_what_shows_nothing_is_held_out(tmp_path: Path) -> None:
    run = Run.begin("norb-jittered", NorbJittered(out=tmp_path))
    views = drawn(run, Drawn(2, 2, 1), 0)
    assert torch.equal(drawn(run, Drawn(9, 9, 9), 1).pixels, views.pixels)  # as that run began
    for seed in range(5):
        numbered = views._replace(pixels=torch.arange(len(views.toys), dtype=torch.float32)[:, None] * torch.ones(1, 2))
        for tuning in (False, True):
            cases = cases_of(numbered, "pixel", seed, "cpu", tuning=tuning)
            sides = [set(part.pixels[:, 0].tolist()) for part in (cases.learnt, cases.valid, cases.judged)]
            assert not sides[0] & sides[1]
            assert not sides[0] & sides[2]
            assert (sides[1] == sides[2]) == tuning
            assert len(sides[0]) == 4 * len(sides[1]) == 96
            counts = [torch.bincount(part.categories, minlength=6).tolist() for part in (cases.learnt, cases.valid)]
            assert counts == [[16] * 6, [4] * 6]
        cases = cases_of(views, "pixel", seed, "cpu", tuning=False)
        assert cases.learnt.pixels.mean(0).abs().max() < 1e-4
        assert cases.learnt.pixels.std(0, correction=0).mean() == pytest.approx(1, abs=1e-4)


def test_a_layer_that_learnt_from_standardised_inputs_takes_them_as_they_are() -> None:
    generator = torch.Generator().manual_seed(0)
    rbm = RBM(Gaussian(5, variance=1.0), NoisyReLU(4), seed=1)
    rbm.hidden.bias.data.normal_(generator=generator)
    x, mean = torch.randn(7, 5, generator=generator), torch.randn(5, generator=generator)
    before = rbm.hidden.mode(rbm.hidden_input((x - mean) / 3)).detach()
    after = unstandardised(rbm, mean, 3.0)
    torch.testing.assert_close(after.hidden.mode(after.hidden_input(x)).detach(), before)


def test_the_second_rectified_layer_sees_what_it_learnt_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unlearnt, so that its weights are known: inputs of mean 0 and mean deviation 1, from the first layer as it is."""
    fed = []
    monkeypatch.setattr(tuned_nets, "learn_layer", lambda run, phase, rbm, data, *how: fed.append((rbm, data)))
    seen = torch.randn(60, 30, generator=torch.Generator().manual_seed(0))
    first, second = learnt_layers(Run.begin("norb-jittered", NorbJittered(out=tmp_path)), "rectified", seen, HOW, 0)
    below = (seen @ first.coupling.weight.detach()).relu()
    scaled = ((below.double() - below.double().mean(0)) / below.double().std(0, correction=0).mean()).float()
    torch.testing.assert_close(fed[1][1], scaled, rtol=1e-4, atol=1e-5)
    weight = machine(Gaussian(12, variance=1.0), "rectified", 6, derive(0, 1)).coupling.weight.detach()
    torch.testing.assert_close(second.hidden_input(below).detach() + second.hidden.bias.detach(), scaled @ weight, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_nets_begin_at_what_was_learnt_or_at_the_same_random_layers(kind: str, tmp_path: Path) -> None:
    """The outputs of a pre-trained net by hand, and which layers two nets share."""
    seen = torch.randn(60, 30, generator=torch.Generator().manual_seed(0))
    layers = learnt_layers(Run.begin("norb-jittered", NorbJittered(out=tmp_path)), kind, seen, HOW, 0)  # type: ignore[arg-type]
    nets = {start: net_of(kind, start, layers, 5) for start in STARTS}  # type: ignore[arg-type]
    below = seen
    for rbm in layers:
        total = below @ rbm.coupling.weight.detach() + rbm.hidden.bias.detach()
        below = total.relu() if kind == "rectified" else total.sigmoid()
    head = nets["two_layers_pretrained"][-1]
    torch.testing.assert_close(nets["two_layers_pretrained"](seen), below @ head.weight.T + head.bias)
    weights = {start: [module.weight for module in net if isinstance(module, torch.nn.Linear)] for start, net in nets.items()}
    assert [len(each) for each in weights.values()] == [2, 2, 3, 3, 3]
    for start, learnt in STARTS.items():
        for place, pretrained in enumerate(learnt):
            origin = "two_layers_pretrained" if pretrained else "two_layers"
            assert torch.equal(weights[start][place], weights[origin][place])
    assert not torch.equal(weights["two_layers"][0], weights["two_layers_pretrained"][0])


def test_figures_by_hand() -> None:
    """Errors, a paired standard error and the binomial p of McNemar's test."""
    draw = np.random.default_rng(0)
    wrong = {
        f"{kind}_{start}": torch.tensor(draw.random(200) < share) for kind, share in zip(KINDS, (0.2, 0.3), strict=True) for start in STARTS
    }
    found = {name: value for name, value, _ in metrics(wrong, "test")}
    for start in STARTS:
        rectified, binary = (wrong[f"{kind}_{start}"].numpy() for kind in KINDS)
        assert found[f"test_error_percent_binary_{start}"] == pytest.approx(binary.sum() / 2)
        assert found[f"test_binary_less_rectified_{start}"] == pytest.approx((binary.sum() - rectified.sum()) / 2)
        alone, other = int((binary & ~rectified).sum()), int((rectified & ~binary).sum())
        spread = math.sqrt(((alone + other) / 200 - ((alone - other) / 200) ** 2) / 199)
        assert found[f"test_binary_less_rectified_{start}_standard_error"] == pytest.approx(100 * spread, rel=1e-6)
        tail = 2 * binom.cdf(min(alone, other), alone + other, 0.5)
        assert found[f"test_mcnemar_p_{start}"] == pytest.approx(min(tail, 1))
    assert set(NorbJittered.published) == {f"test_error_percent_{name}" for name in wrong} <= set(found)


def test_the_published_figures_are_the_paper_s() -> None:
    """Its tables 1 and 2, row by row: not pre-trained, pre-trained; neither layer, the first, both."""
    rows = {"rectified": (17.8, 16.5, 17.6, 16.5, 15.2), "binary": (23.0, 18.7, 23.6, 18.8, 18.8)}
    assert {kind: tuple(PUBLISHED[f"{kind}_{start}"] for start in STARTS) for kind in KINDS} == rows
    assert [NorbJittered(quick=quick).setting(toys=toys) for quick in (False, True) for toys in (False, True)] == [
        "full",
        "toy objects",
        "quick",
        "quick, toy objects",
    ]


def test_both_cameras_stand_side_by_side() -> None:
    images = torch.rand(3, 2, 32, 32)
    assert torch.equal(beside(images.flatten(1)).reshape(3, 32, 64), torch.cat([images[:, 0], images[:, 1]], dim=2))


def test_labels_that_are_judged_on_are_not_learnt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Categories by bright corners of noise: nets find them; with the judged labels moved on by one, they have all wrong."""
    views = corners()
    moved = views._replace(categories=torch.where(views.training, views.categories, (views.categories + 1) % 6))
    plain = LogisticRegression(max_iter=500).fit(views.pixels[views.training].numpy(), views.categories[views.training].numpy())
    assert plain.score(views.pixels[~views.training].numpy(), views.categories[~views.training].numpy()) == 1
    for name, seen, wrong in (("true", views, range(3)), ("moved", moved, range(98, 101))):
        recipe = NorbJittered(smoke=True, threads=1, out=tmp_path / name)
        monkeypatch.setattr(NorbJittered, "views", lambda self, run, seen=seen: (seen, True))
        monkeypatch.setattr(NorbJittered, "plan", lambda self: self._smaller(units=30, epochs=1, tuning_epochs=20, pairs=60))
        found = recipe.run(Run.begin("norb-jittered", recipe))["metrics"]
        for start in STARTS:
            assert round(found[f"test_error_percent_rectified_{start}"]["value"]) in wrong


def corners() -> Views:
    """Views of ten toys of each category and of no toy, which a bright patch of their category's own place tells apart."""
    generator = torch.Generator().manual_seed(0)
    facts = [(category, toy, part) for part, own in norb.TOYS.items() for toy in own for category in range(6) for _ in range(8)]
    categories, toys = (torch.tensor([fact[place] for fact in facts]) for place in range(2))
    pixels = 40 * torch.randn(len(facts), 2, 32, 32, generator=generator)
    for row, category in enumerate(categories.tolist()):
        pixels[row, :, 5 * category : 5 * category + 6, 8:24] += 100
    return Views(pixels.flatten(1), categories, toys, torch.tensor([part == "training" for *_, part in facts]))


@pytest.mark.usefixtures("few_layers")
def test_a_smoke_run_goes_through_every_step_and_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["run", "norb-jittered", "--smoke", "--threads", "1", "--objects", "toy", "--out", str(tmp_path / "run")]
    monkeypatch.setattr(sys, "argv", ["harmonium", *words])
    cli.main()
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["setting"] == "smoke, toy objects"
    assert len(results["metrics"]) == 4 * len(STARTS) + 3 * len(STARTS)
    page = (tmp_path / "run" / "report.html").read_text()
    assert all(words in page for words in ("Errors", "Pairs", "Features", "these are toy objects", "two layers, both pre-trained"))
    (tmp_path / "run" / "results.json").unlink()
    monkeypatch.setattr(NorbJittered, "report", lambda self, run: None)  # drawn above, and not looked at below
    cli.main()
    assert json.loads((tmp_path / "run" / "results.json").read_text())["metrics"] == results["metrics"]
