"""The norb-reduced recipe: who is judged on, the other machines by oracles of their own, and every step on squares that are soon drawn."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate

from harmonium import cli
from harmonium.data import norb, toy_objects
from harmonium.data.mnist_variations import Cases
from harmonium.data.norb import Norb, Pairs
from harmonium.recipes.norb_reduced import other_machines
from harmonium.recipes.norb_reduced.conv_nets import WINDOW, Normalised
from harmonium.recipes.norb_reduced.other_machines import NETS, Baselines, neighbours_error
from harmonium.recipes.norb_reduced.recipe import NorbReduced
from harmonium.recipes.shared.norb_pairs import load
from harmonium.recipes.shared.norb_views import Views, chosen, split
from harmonium.runs.folder import Run
from tests.data.norb_files import small_norb


def square(category: int, toy: int, seed: int) -> torch.Tensor:
    """A pair of images of a dark square of its category's own size, somewhere near the middle of a bright ground."""
    generator = torch.Generator().manual_seed(seed)
    size, (top, left) = 6 + 6 * category, (torch.randint(18, 40, (2,), generator=generator)).tolist()
    pair = torch.full((2, 96, 96), 200, dtype=torch.uint8)
    pair[:, top : top + size, left : left + size] = 60 + toy
    return pair


def squares(toys: tuple[int, ...], each: int) -> Pairs:
    facts = [(category, toy, view) for category in range(5) for toy in toys for view in range(each)]
    images = torch.stack([square(category, toy, 97 * view + toy) for category, toy, view in facts])
    categories, numbers, _ = torch.tensor(facts).unbind(1)
    blank = torch.zeros(len(facts))
    return Pairs(images, categories, numbers, blank, blank, blank.long(), blank[:, None][:, :0])  # type: ignore[arg-type]


def views() -> Views:
    return chosen(Norb(squares(norb.TOYS["training"], 4), squares(norb.TOYS["testing"], 4)), 1000, 0, norb.reduced)


def test_views_are_drawn_without_repeats_and_are_those_of_their_pairs() -> None:
    pairs = Norb(squares((4, 6), 3), squares((0,), 3))
    found = chosen(pairs, 20, 1, norb.reduced)
    assert found.training.tolist() == [True] * 20 + [False] * 15
    for part, rows in zip(pairs, (found.training, ~found.training), strict=True):
        every = {
            (*norb.reduced(image[None])[0].tolist(), int(category), int(toy))
            for image, category, toy in zip(part.images, part.categories, part.toys, strict=True)
        }
        own = [
            (*pixels.tolist(), int(category), int(toy))
            for pixels, category, toy in zip(found.pixels[rows], found.categories[rows], found.toys[rows], strict=True)
        ]
        assert len(set(own)) == len(own)
        assert set(own) <= every
    assert not torch.equal(found.pixels, chosen(pairs, 20, 2, norb.reduced).pixels)


def test_no_toy_is_on_both_sides_and_settings_are_chosen_on_training_toys() -> None:
    found = views()
    test = split(found, 0, tuning=False)
    assert set(found.toys[test.learnt_from].tolist()) == set(norb.TOYS["training"])
    assert set(found.toys[test.judged].tolist()) == set(norb.TOYS["testing"])
    held = set()
    for seed in range(5):
        tuning = split(found, seed, tuning=True)
        (toy,) = set(found.toys[tuning.judged].tolist())
        assert sorted(set(found.categories[tuning.judged].tolist())) == list(range(5))
        assert set(found.toys[tuning.learnt_from].tolist()) == set(norb.TOYS["training"]) - {toy}
        held.add(toy)
    assert held == set(norb.TOYS["training"])


def test_local_contrast_normalisation_is_scipy_s() -> None:
    maps = np.random.default_rng(0).random((3, 12, 9))
    places = np.arange(WINDOW) - WINDOW // 2
    window = np.exp(-0.5 * (places[:, None] ** 2 + places**2) / (WINDOW / 4) ** 2)

    def mean(values: np.ndarray) -> np.ndarray:
        return correlate(values.mean(0), window, mode="constant") / correlate(np.ones((12, 9)), window, mode="constant")

    centred = maps - mean(maps)
    deviation = np.sqrt(mean(centred**2))
    expected = centred / np.maximum(deviation, deviation.mean())
    np.testing.assert_allclose(Normalised()(torch.from_numpy(maps[None]).float())[0], expected, rtol=1e-4, atol=1e-5)
    assert bool(Normalised()(torch.ones(1, 2, 8, 8)).abs().max() < 1e-3)


@pytest.mark.parametrize("name", NETS)
def test_nets_begin_as_their_seed_says(name: str) -> None:
    inputs = torch.randn(2, 1024, generator=torch.Generator().manual_seed(0))
    one, same, other = (NETS[name](seed)(inputs) for seed in (1, 1, 2))
    assert one.shape == (2, 5)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("count", [1, 3])
def test_neighbours_vote(count: int) -> None:
    generator = torch.Generator().manual_seed(0)
    learnt, judged = (Cases(torch.randn(size, 3, generator=generator), torch.arange(size) % 2) for size in (60, 40))
    order = (judged.images[:, None] - learnt.images).square().sum(-1).argsort(1)[:, :count]
    said = (learnt.labels[order].double().mean(1) > 0.5).long()
    assert neighbours_error(learnt, judged, count) == pytest.approx(100 * (said != judged.labels).double().mean().item())


def test_labels_that_are_judged_on_are_not_learnt(tmp_path: Path) -> None:
    """All machines have easy squares right; with the test's labels moved on by one, they have all of them wrong."""
    found, how = views(), Baselines(neighbours=(1,), costs=(10.0,), widths=(1.0,), epochs=60, batch_size=10, learning_rate=0.01)
    moved = found._replace(categories=torch.where(found.training, found.categories, (found.categories + 1) % 5))
    for name, cases, wrong in (("true", found, range(21)), ("moved", moved, range(79, 101))):
        run = Run.begin("norb-reduced", NorbReduced(out=tmp_path / name))
        errors = other_machines.errors(run, cases, how, 0, tuning=False)
        assert all(round(error) in wrong for error in errors.values()), errors


def test_norb_where_its_files_are_and_toy_objects_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toy_objects, "load", lambda kind: f"{kind} toys")
    monkeypatch.setenv("HARMONIUM_DATA", str(tmp_path / "norb"))
    (tmp_path / "norb").mkdir()

    def run(name: str) -> Run:
        return Run.begin("norb-reduced", NorbReduced(out=tmp_path / name))

    assert load(run("a"), "small", "auto", None) == ("small toys", True)
    for objects, folder in (("norb", None), ("auto", tmp_path)):
        with pytest.raises(FileNotFoundError, match="get the files from their authors"):
            load(run("b"), "small", objects, folder)  # type: ignore[arg-type]
    small_norb(tmp_path / "norb")
    pairs, toys = load(run("b"), "small", "auto", None)
    assert (len(pairs.train.categories), toys) == (24_300, False)
    assert load(run("a"), "small", "auto", None) == ("small toys", True)  # as that run began
    assert load(run("c"), "small", "toy", None) == ("small toys", True)
    for path in (tmp_path / "norb").iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError):
        load(run("b"), "small", "auto", None)


def test_records_say_what_was_seen() -> None:
    assert [NorbReduced().setting(toys=toys) for toys in (False, True)] == ["full", "toy objects"]
    assert [NorbReduced(quick=True).setting(toys=toys) for toys in (False, True)] == ["quick", "quick, toy objects"]


def test_a_smoke_run_goes_through_every_step_and_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        toy_objects, "render", lambda name, toy, elevation, azimuth, lighting: square(norb.NAMES.index(name), toy, azimuth + toy)
    )
    words = ["run", "norb-reduced", "--smoke", "--threads", "1", "--out", str(tmp_path / "run")]
    monkeypatch.setattr(sys, "argv", ["harmonium", *words])
    cli.main()
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["setting"] == "smoke, toy objects"
    layers = {f"{kind}layer_{place}" for kind in ("", "binary_", "random_") for place in (1, 2)}
    assert set(results["errors"]) == layers | {"pixels", "nearest_neighbours", "svm", *NETS}
    assert all(0 <= error <= 100 for error in results["errors"].values())
    assert (tmp_path / "run" / "report.html").stat().st_size > 20_000
    (tmp_path / "run" / "results.json").unlink()
    monkeypatch.setattr(NorbReduced, "report", lambda self, run: None)  # drawn above, and not looked at below
    cli.main()
    assert json.loads((tmp_path / "run" / "results.json").read_text())["errors"] == results["errors"]
