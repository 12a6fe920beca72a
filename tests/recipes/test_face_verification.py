"""Every step of face verification on photographs without faces; and its parts."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from harmonium.data import orl_faces
from harmonium.data.verification import ImagePairs
from harmonium.recipes.verification import learnt_metric, recipe
from harmonium.recipes.verification.cropped_faces import ASIDE, Faces, Fold, crops, folds_of, load, some, standing
from harmonium.recipes.verification.learnt_metric import Convolutions
from harmonium.recipes.verification.recipe import FaceVerification
from harmonium.recipes.verification.right_pairs import (
    CONTRASTS,
    at_contrasts,
    by_cosine,
    by_threshold,
    cosines,
    percent_right,
    right_at_contrasts,
    threshold,
)
from harmonium.runs.folder import Run

pytestmark = pytest.mark.filterwarnings("ignore::harmonium.Advice")
HEIGHT, WIDTH = orl_faces.SHAPE


def people_of_noise(data_dir: Path | None = None) -> orl_faces.Faces:
    """As many photographs as there are: of each person smooth noise of their own, and some more of each photograph's."""
    noise = torch.rand(440, 1, 14, 12, generator=torch.Generator().manual_seed(0))
    mixed = 0.5 * noise[400:].repeat_interleave(10, dim=0) + 0.5 * noise[:400]
    smooth = nn.functional.interpolate(mixed, (HEIGHT, WIDTH), mode="bilinear")
    return orl_faces.Faces((255 * smooth).byte().flatten(1), torch.arange(40).repeat_interleave(10))


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FaceVerification:
    monkeypatch.setattr(orl_faces, "load", people_of_noise)
    return FaceVerification(out=tmp_path / "run", smoke=True, threads=1)


def test_a_smoke_run_goes_through_every_step_and_resumes(options: FaceVerification, monkeypatch: pytest.MonkeyPatch) -> None:
    run, learnt_from, plain = Run.begin("face-verification", options), [], recipe.standardise

    def standardise(rows: torch.Tensor, **named: Any) -> Any:
        learnt_from.append(rows)
        return plain(rows, **named)

    monkeypatch.setattr(recipe, "standardise", standardise)
    results = options.run(run)
    assert results["setting"] == "smoke"
    faces, folds = load(1, 0), folds_of(load(1, 0), 2, 0)
    for rows, fold in zip(learnt_from, (fold for fold in folds for _ in recipe.NETS), strict=True):
        judged = faces.middle[fold.test.images.unique()]
        assert torch.cdist(rows.double(), judged.double()).min() > 0.1  # nobody who is judged on
    for name in recipe.JUDGED:
        own = [row[name] for row in results["rows"]]
        assert results["metrics"][f"test_accuracy_percent_{name}"]["value"] == pytest.approx(np.mean(own))
        error = results["metrics"][f"test_accuracy_standard_error_{name}"]["value"]
        assert error == pytest.approx(abs(own[0] - own[1]) / 2)
    assert results["metrics"]["test_accuracy_percent_pixels"]["value"] > 80  # the same person's noise is alike
    page = (run.folder / "report.html").read_text()
    assert all(words in page for words in ("Accuracy", "Pairs", "siamese net, rectified features", "eigenfaces"))

    def never(*arguments: object, **named: object) -> None:
        raise AssertionError("what is finished was learnt again")

    monkeypatch.setattr(recipe, "fit", never)
    monkeypatch.setattr(recipe, "fine_tune", never)
    monkeypatch.setattr(learnt_metric, "fine_tune", never)
    assert options.run(Run.open(run.folder))["metrics"] == results["metrics"]


def test_rectified_features_have_no_biases_and_their_net_is_blind_to_contrast(options: FaceVerification) -> None:
    """A probability of the net without biases moves by rounding alone from a tenth of the contrast to ten times; the others' move."""
    plan, faces = options.plan(), load(1, 0)
    fold = folds_of(faces, plan.folds, 0)[0]
    run = Run.begin("face-verification", options)
    for name in recipe.NETS:
        rbm = recipe.learn_features(run, plan, faces, fold, name, 0)
        biased = rbm.hidden.get_parameter("bias").detach().abs().max().item() > 0
        assert biased == (name != "rectified")
        net = recipe.siamese(rbm, biases=name != "rectified")
        settings = plan.binary if name == "binary" else plan.rectified
        recipe.tune(run, plan, faces, fold, name, settings, net, 0)
        said = at_contrasts(net, faces.middle, fold.test)
        right, change = right_at_contrasts(said, fold.test)
        assert (change < 1e-5) == (name == "rectified")
        shown = faces.middle[fold.test.images[:20]].double()
        for factor, row, percent in zip(CONTRASTS, said, right, strict=True):
            weight = net.double()[-1].weight.item()
            one, other = (net[:-1](shown * torch.tensor([[1.0], [factor]]))).detach().numpy().transpose(1, 0, 2)
            cosine = (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
            np.testing.assert_allclose(row[:20], 1 / (1 + np.exp(-weight * cosine - net[-1].bias.item())), atol=1e-4)
            assert percent == 100 * np.mean((row > 0.5).numpy() == fold.test.same.numpy())


def test_no_figure_depends_on_who_is_set_aside_and_nobody_is_on_both_sides(options: FaceVerification) -> None:
    faces = load(2, 0)
    of_copies = faces.of_copies()
    assert len(of_copies) == len(faces.moved) == len(faces.mirrored) == 800
    judged = []
    for fold in folds_of(faces, 10, seed=3):
        learnt, seen = set(of_copies[fold.copies.images].flatten().tolist()), set(faces.people[fold.train.images].flatten().tolist())
        tested = set(faces.people[fold.test.images].flatten().tolist())
        assert learnt == seen == set(range(40)) - set(ASIDE) - tested
        judged += sorted(tested)
        for pairs, people in ((fold.copies, of_copies), (fold.train, faces.people), (fold.test, faces.people)):
            one, other = people[pairs.images].unbind(1)
            assert torch.equal((one == other).long(), pairs.same)
            assert pairs.same.double().mean() == 0.5
    assert sorted(judged) == sorted(set(range(40)) - set(ASIDE))
    (choosing,) = folds_of(faces, 10, seed=3, choosing=True)
    assert set(faces.people[choosing.test.images].flatten().tolist()) == set(ASIDE)
    assert set(of_copies[choosing.copies.images].flatten().tolist()) == set(range(40)) - set(ASIDE)


def test_crops_are_means_of_areas_less_their_own_mean() -> None:
    photographs = torch.rand(3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    places = torch.tensor([[[4, 4], [0, 8]], [[1, 2], [8, 0]], [[7, 7], [4, 4]]])
    found = crops(photographs, places).reshape(3, 2, 26, 21).numpy()
    for number, row in enumerate(places.tolist()):
        for copy, (top, left) in enumerate(row):
            cut = photographs[number, top : top + 104, left : left + 84].double().numpy()
            means = cut.reshape(26, 4, 21, 4).mean((1, 3))
            np.testing.assert_allclose(found[number, copy], (means - means.mean()) / means.std(), atol=1e-4)


def test_pairs_to_learn_from_are_both_mirrored_or_neither() -> None:
    moved, mirrored = torch.arange(5.0)[:, None], 100 + torch.arange(5.0)[:, None]
    pairs = ImagePairs(torch.combinations(torch.arange(5)).repeat(200, 1), torch.zeros(2000, dtype=torch.long))
    found = standing(pairs, moved, mirrored, seed=0).squeeze(2)
    turned = found[:, 0] >= 100
    assert torch.equal(found, pairs.images + 100.0 * turned[:, None])
    assert abs(turned.double().mean().item() - 0.5) < 4 * 0.5 / 2000**0.5
    numbered = ImagePairs(torch.arange(2000).repeat(2, 1).T, torch.arange(2000))
    few = some(numbered, 500, seed=1)
    assert torch.equal(few.images[:, 1], few.same)
    assert len(few.same.unique()) == 500
    assert 900 < few.same.double().mean() < 1100
    assert len(some(numbered, 3000, seed=1).same.unique()) == 2000


def test_the_percentage_right() -> None:
    pairs = ImagePairs(torch.zeros(4, 2, dtype=torch.long), torch.tensor([1, 1, 0, 0]))
    assert percent_right(torch.tensor([1, 0, 0, 0]), pairs) == 75
    assert percent_right(torch.tensor([True, True, True, True]), pairs) == 50


def test_the_threshold_of_the_cosine() -> None:
    """Cosines of two kinds, normal with equal width: the best threshold is halfway, the slope the distance over the variance."""
    draw = np.random.default_rng(0)
    angles = np.arccos(np.clip(np.concatenate([draw.normal(0.5, 0.1, 4000), draw.normal(0.2, 0.1, 4000)]), -1, 1))
    features = torch.from_numpy(np.concatenate([[[2.0, 0.0]], 3 * np.stack([np.cos(angles), np.sin(angles)], axis=1)]))
    images = torch.stack([torch.zeros(8000, dtype=torch.long), torch.arange(1, 8001)], dim=1)
    pairs = ImagePairs(images, torch.tensor([1, 0]).repeat_interleave(4000))
    np.testing.assert_allclose(cosines(features, pairs), np.cos(angles), atol=1e-12)
    slope, offset = threshold(cosines(features, pairs), pairs)
    assert -offset / slope == pytest.approx(0.35, abs=0.01)
    assert slope == pytest.approx(30, rel=0.1)
    assert by_cosine(features, Fold(pairs, pairs, pairs)) == pytest.approx(93.3, abs=1)  # Φ(1.5)


def test_the_convolutional_net_is_symmetric_and_learns_who_is_alike(options: FaceVerification) -> None:
    """Its distances are those of either order, by the features of each face alone; on noise of forty people it learns to tell them."""
    run, faces = Run.begin("face-verification", options), load(1, 0)
    how = Convolutions(maps=(4, 6), features=10, epochs=5, learning_rate=0.01)
    (fold,) = folds_of(faces, 2, 0, choosing=True)
    pairs = some(fold.copies, 1500, 0)
    net = learnt_metric.learn_metric(run, "net", faces.moved[pairs.images], pairs.same, how, 0)
    shown = faces.middle[fold.test.images[:50]]
    features = net[:-2](shown).detach().reshape(50, 2, 10)
    expected = np.array([sum(abs(float(a) - float(b)) for a, b in zip(*pair, strict=True)) for pair in features])
    np.testing.assert_allclose(net(shown).detach(), expected, rtol=1e-4)
    np.testing.assert_allclose(net(shown.flip(1)).detach(), expected, rtol=1e-4)
    np.testing.assert_allclose(-learnt_metric.closeness(net, faces.middle, fold.test)[:50], expected, rtol=1e-4)
    untrained = learnt_metric.closeness(learnt_metric.convolutional(how, 0), faces.middle, fold.train)
    learnt = learnt_metric.closeness(net, faces.middle, fold.train)
    known = fold._replace(test=fold.train)
    assert by_threshold(learnt, learnt, known) > by_threshold(untrained, untrained, known) + 3


def test_options_are_checked() -> None:
    for wrong in ({"folds": 1}, {"folds": 16}, {"copies": 0}, {"pairs": 0}):
        with pytest.raises(ValueError, match="thirty people make 2 to 15 folds, and there is a copy and a pair, found Face"):
            FaceVerification(**wrong)
    assert dataclasses.replace(FaceVerification(), choosing=True).setting == "choosing"
    assert Faces(torch.zeros(4, 2), torch.zeros(12, 2), torch.zeros(12, 2), torch.arange(4)).copies == 3
