"""Every step of the angle regression, on views of the real format without toys in them; and its parts."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from harmonium.recipes.angles import recipe
from harmonium.recipes.angles.recipe import AngleRegression, begun, errors, machines
from harmonium.recipes.angles.viewed_toys import ORIENTED, degrees_off, divide, load
from harmonium.runs.folder import Run
from tests.data.test_eth80 import content, write

pytestmark = pytest.mark.filterwarnings("ignore::harmonium.Advice")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A patch of each image is as bright as the azimuth is large, on a full silhouette; a view of each toy is from above."""
    found = content()
    found["azimuth"] = np.tile(np.linspace(0, 351, 41).astype(np.int16), 80)
    found["elevation"][::41] = 0
    found["images"][:, 20:60, 20:60] = (found["azimuth"] * 255 // 360)[:, None, None]
    found["masks"][:] = 255
    path = tmp_path_factory.mktemp("eth")
    write(path, **found)
    return path


@pytest.fixture
def options(folder: Path, tmp_path: Path) -> AngleRegression:
    return AngleRegression(data_dir=folder, out=tmp_path / "run", smoke=True, threads=1)


def test_a_smoke_run_goes_through_every_step_and_resumes(options: AngleRegression, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.begin("angle-regression", options)
    results = options.run(run)
    assert results["setting"] == "smoke"
    wanted = [f"test_{what}_{start}_1_labelled" for start in ("pretrained", "random", "ridge") for what in ("degrees_off", "squared_error")]
    assert list(results["metrics"]) == wanted
    for name, found in results["metrics"].items():
        own = [row[name.split("_")[1] + "_" + name.split("_")[2]] for row in results["rows"] if row["start"] == name.split("_")[3]]
        assert found["value"] == pytest.approx(np.mean(own))
        assert 0 <= found["value"] <= 180
    page = (run.folder / "report.html").read_text()
    assert all(words in page for words in ("Degrees off", "Filters", "net, features without labels", "ridge regression"))

    def never(*arguments: object, **named: object) -> None:
        raise AssertionError("what is finished was learnt again")

    monkeypatch.setattr(recipe, "fit", never)
    monkeypatch.setattr(recipe, "fine_tune", never)
    assert options.run(Run.open(run.folder))["metrics"] == results["metrics"]


def test_no_figure_depends_on_the_labels_of_test_toys(options: AngleRegression, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nets that learn, and rates that are chosen, are the same to the last bit where the test toys have other labels."""
    plan, toys = options.plan(), load(8, options.data_dir)
    learnt: dict[str, list[torch.Tensor]] = {}

    def keep(name: str):
        tune = recipe.fine_tune

        def tuned(net: nn.Module, *arguments: object, **named: object) -> None:
            tune(net, *arguments, **named)
            learnt.setdefault(name, []).extend(each.detach().clone() for each in net.parameters())

        return tuned

    test = divide(toys, 1, recipe.derive(plan.seed, 0, 2)).test
    other = toys._replace(targets=toys.targets.clone())
    other.targets[test] = -other.targets[test]
    for name, some in (("true", toys), ("other", other)):
        run = Run.begin("angle-regression", dataclasses.replace(options, out=options.out / name))
        with monkeypatch.context() as patch:
            patch.setattr(recipe, "fine_tune", keep(name))
            recipe.judge(run, plan, some, 0)
    assert len(learnt["true"]) == 2 * 6
    assert all(torch.equal(a, b) for a, b in zip(learnt["true"], learnt["other"], strict=True))


def test_toys_are_divided_and_few_are_among_many(folder: Path) -> None:
    toys = load(8, folder)
    assert toys.images.shape == (3280, 64)
    assert int(toys.oriented.sum()) == len(ORIENTED) * 10 * 40
    few, many = divide(toys, 1, seed=4), divide(toys, 6, seed=4)
    assert [len(part) for part in few] == [200, 200, 600]
    assert [len(part) for part in many] == [1200, 200, 600]
    assert torch.equal(few.test, many.test)
    assert torch.equal(few.valid, many.valid)
    assert set(few.labelled.tolist()) < set(many.labelled.tolist())
    owners = [set(toys.toys[part].tolist()) for part in many]
    assert not owners[0] & owners[1] | owners[0] & owners[2] | owners[1] & owners[2]
    assert toys.oriented[torch.cat(list(many))].all()
    assert not torch.equal(divide(toys, 6, seed=5).test, many.test)


def test_images_are_means_of_areas_on_the_toy(folder: Path) -> None:
    toys = load(24, folder)
    image = toys.images[41 * 10 + 5].reshape(24, 24)
    azimuth = np.linspace(0, 351, 41).astype(int)[5]
    assert image[10, 10].item() == pytest.approx(int(azimuth * 255 // 360) / 255)
    assert toys.inputs.mean(0).abs().max() < 1e-4
    assert ((toys.inputs.std(0) - toys.images.std(0) / (toys.images.std(0) + 0.1)).abs() < 1e-3).all()
    assert torch.allclose(toys.targets.square().sum(1), torch.ones(3280))
    assert torch.atan2(*toys.targets[41 * 10 + 5]).rad2deg().item() == pytest.approx(azimuth, abs=1e-3)


def test_degrees_off_go_the_shorter_way_round() -> None:
    said, true = torch.tensor([350.0, 10, 90, 0, 200]), torch.tensor([10.0, 350, 90, 180, 90])
    turns = [torch.stack([angle.deg2rad().sin(), angle.deg2rad().cos()], dim=1) for angle in (said, true)]
    assert degrees_off(3 * turns[0], turns[1]).tolist() == pytest.approx([20, 20, 0, 180, 110], abs=1e-4)
    found = errors(turns[0], turns[1])
    assert found["degrees_off"] == pytest.approx(66, abs=1e-4)
    assert found["squared_error"] == pytest.approx(np.mean([1 - math.cos(math.radians(each)) for each in (20, 20, 0, 180, 110)]), abs=1e-5)


def test_where_nets_begin(options: AngleRegression) -> None:
    stack = machines(options.plan(), 0)
    dbn = recipe.DBN(stack)
    linear = {start: [m for m in begun(start, dbn, seed=1) if isinstance(m, nn.Linear)] for start in recipe.STARTS}
    for start, modules in linear.items():
        assert [tuple(m.weight.shape) for m in modules] == [(10, 64), (10, 10), (2, 10)]
        learnt = [torch.allclose(m.weight, rbm.coupling.weight.T) for m, rbm in zip(modules, stack, strict=False)]
        assert learnt == [start == "pretrained"] * 2
    bound = math.sqrt(6 / 64)
    assert 0.98 * bound < linear["random"][0].weight.abs().max() <= bound
    assert torch.equal(linear["random"][2].weight, linear["pretrained"][2].weight)


def test_a_rate_that_diverges_is_left_out(options: AngleRegression) -> None:
    plan, toys = dataclasses.replace(options.plan(), rates=(1e6, 0.001)), load(8, options.data_dir)
    run, dbn = Run.begin("angle-regression", options), recipe.DBN(machines(plan, 0))
    division = divide(toys, 1, seed=0)
    assert recipe.tune(run, plan, toys, division, "random", dbn, "some")["rate"] == 0.001
    with pytest.raises(ValueError, match="diverged at every rate"):
        recipe.tune(run, dataclasses.replace(plan, rates=(1e6,)), toys, division, "random", dbn, "none")


def test_options_are_checked(folder: Path) -> None:
    for wrong in ({"labelled": (7,)}, {"side": 20}, {"divisions": 0}):
        with pytest.raises(ValueError, match="1 to 6 labelled toys of a category, and a side that divides 96"):
            AngleRegression(data_dir=folder, **wrong)
