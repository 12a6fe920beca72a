"""The recipes on unsupervised pre-training: their steps, and their figures against arithmetic of their own."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

import harmonium as hm
from harmonium.data import mnist
from harmonium.files import read_tensors
from harmonium.recipes.pretraining_trajectories.function_space import (
    distances,
    gathered,
    isomap,
    mean_distances,
    principal_components,
    share_beside_others,
)
from harmonium.recipes.pretraining_why.bars import TASKS, labelled
from harmonium.recipes.shared.nets_by_depth import at_equal_loss
from harmonium.recipes.shared.nets_by_depth import metrics as depth_metrics
from harmonium.recipes.shared.sigmoid_nets import shrunk, sigmoid_net
from tests.data.idx_files import CODES, header, idx_bytes, write
from tests.recipes.test_command_line import harmonium


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The four files of MNIST with noise in the first images, and labels in any order."""
    folder, draw = tmp_path_factory.mktemp("mnist"), np.random.default_rng(0)
    names = [name.removesuffix(".gz") for name in mnist.FILES]
    for at, counts in ((0, mnist.TRAIN_COUNTS), (2, mnist.TEST_COUNTS)):
        with (folder / names[at]).open("wb") as file:
            file.write(header(CODES["u1"], (sum(counts), 28, 28)) + draw.bytes(300 * 784))
            file.truncate(16 + sum(counts) * 784)
        write(folder / names[at + 1], idx_bytes(draw.permutation(np.repeat(np.arange(10, dtype=np.uint8), counts))))
    return folder


@pytest.mark.parametrize(
    ("recipe", "pictures"), [("pretraining-depth", 3), ("pretraining-effect", 2), ("pretraining-why", 2), ("pretraining-trajectories", 3)]
)
def test_a_smoke_run_goes_through_every_step_and_resumes(
    recipe: str, pictures: int, tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARMONIUM_DATA", str(images))
    assert harmonium(monkeypatch, "run", recipe, "--smoke", "--threads", "1") is None
    folder = tmp_path / "runs" / recipe
    results = json.loads((folder / "results.json").read_text())
    assert results["setting"] == "smoke"
    assert all(np.isfinite(metric["value"]) for metric in results["metrics"].values())
    report = (folder / "report.html").read_text()
    assert report.count("data:image/png;base64,") == pictures
    assert not re.search(r"""(?:src|href)=["']?https?:""", report)

    # One phase lost: it comes out the same, and the layers below are not learnt again.
    last = max(
        (path for path in (folder / "checkpoints").glob("*.safetensors") if "maps" not in path.name), key=lambda p: p.stat().st_mtime
    )
    layer = folder / "checkpoints" / "layer-1.safetensors"
    before, since = read_tensors(last)[0], layer.stat().st_mtime_ns
    for path in (last, folder / "results.json"):
        path.unlink()
    assert harmonium(monkeypatch, "report", str(folder)) is None
    assert "has not finished" in (folder / "report.html").read_text()
    assert harmonium(monkeypatch, "resume", str(folder)) is None
    again = read_tensors(last)[0]
    assert all(torch.equal(again[name], before[name]) for name in before if not name.startswith("history."))  # it has the seconds
    assert layer.stat().st_mtime_ns == since
    assert json.loads((folder / "results.json").read_text())["metrics"] == results["metrics"]


def test_a_run_in_bfloat16_is_a_setting_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {}
    for precision in ("float32", "bfloat16"):
        folder = tmp_path / precision
        words = ("--smoke", "--threads", "1", "--precision", precision, "--out", str(folder))
        assert harmonium(monkeypatch, "run", "pretraining-why", *words) is None
        found[precision] = json.loads((folder / "results.json").read_text())
    assert [each["setting"] for each in found.values()] == ["smoke", "smoke, bfloat16"]
    last = [json.loads((tmp_path / each / "metrics.jsonl").read_text().splitlines()[-1])["train_loss"] for each in found]
    assert last[0] != last[1]  # it reaches the replicas


def test_medians_and_errors_at_equal_loss() -> None:
    cell = {
        "pretrained": {"training_loss": np.array([[0.9, 0.4], [0.3, 0.2]]), "test_error_percent": np.array([[8.0, 6.0], [4.0, 3.0]])},
        "random": {"training_loss": np.array([[2.0, 0.5], [0.6, 0.4]]), "test_error_percent": np.array([[50.0, 9.0], [12.0, 7.0]])},
    }
    level, at = at_equal_loss(cell, "test")
    assert level == 0.5
    assert at["pretrained"].tolist() == [4.0, 6.0]  # at its second epoch, at its first
    assert at["random"].tolist() == [9.0]  # the other one is not there yet
    found = {name: value for name, value, _ in depth_metrics({(kind, 3): curves for kind, curves in cell.items()}, "test")}
    assert found["test_error_percent_median_pretrained_depth_3"] == 3.5
    assert found["test_error_percent_iqr_random_depth_3"] == 2.5
    assert found["test_share_pretrained_errs_less_depth_3"] == 1
    assert found["test_error_percent_pretrained_at_equal_loss_depth_3"] == 5


def test_where_nets_begin() -> None:
    stack = hm.DBN([hm.RBM(hm.Bernoulli(49), hm.Bernoulli(30), seed=0), hm.RBM(hm.Bernoulli(30), hm.Bernoulli(20), seed=1)])
    random, pretrained = (sigmoid_net(stack, 10, 5, pretrained=pretrained) for pretrained in (False, True))
    assert torch.equal(pretrained[1].weight, stack.rbms[0].coupling.weight.T)
    for net, first in ((random, 0), (pretrained, 2)):
        for layer in [module for module in net if isinstance(module, torch.nn.Linear)][first:]:
            reach = layer.in_features**-0.5
            assert 0.9 * reach < layer.weight.abs().max().item() <= reach
            assert not layer.bias.any()


def test_images_are_averaged_in_squares() -> None:
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 784), dtype=np.uint8))
    expected = images.numpy().reshape(3, 14, 2, 14, 2).mean((2, 4)).reshape(3, 196) / 255
    np.testing.assert_allclose(shrunk(images, 14), expected, atol=1e-6)


def test_points_of_function_space_and_their_neighbours() -> None:
    logits = torch.randn(2, 4, 5, 6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    logits[1, ..., 0] += 0.6  # kinds that overlap a little
    probabilities = logits.softmax(-1)
    points = gathered(probabilities)
    apart = cdist(points.functions.numpy(), points.functions.numpy())
    np.testing.assert_allclose(distances(points.functions), apart, atol=1e-5)
    one, two = probabilities[0, 1, 3], probabilities[1, 2, 0]
    place = [int(((points.kind == k) & (points.epoch == e) & (points.net == n)).nonzero()) for k, e, n in ((0, 1, 3), (1, 2, 5))]
    assert apart[place[0], place[1]] == pytest.approx((one - two).square().sum(-1).mean().sqrt().item(), abs=1e-6)

    beside = []
    for row in range(40):
        order = [other for other in np.argsort(apart[row]) if points.net[other] != points.net[row]]
        beside.append(bool(points.kind[order[0]] != points.kind[row]))
    assert 0 < sum(beside) < 40
    assert share_beside_others(points) == pytest.approx(sum(beside) / 40)

    last = points.at(points.epoch == 3)
    ends = cdist(last.functions.numpy(), last.functions.numpy())
    expected = (ends[:5, :5].sum() / 20, ends[5:, 5:].sum() / 20, ends[:5, 5:].mean())
    assert mean_distances(last) == pytest.approx(expected, abs=1e-5)

    components = principal_components(points.functions)  # all of them: distances stay
    np.testing.assert_allclose(cdist(components, components), apart, atol=1e-5)
    plane, neighbours = isomap(np.concatenate([components, components + 100]))  # far apart: more neighbours, and no warning
    assert plane.shape == (80, 2)
    assert neighbours >= 40


def test_labels_of_bars_and_of_pixels() -> None:
    cases = {task: labelled(task, 400, 10, 3, "cpu") for task in TASKS}
    images = cases["one pixel"].images
    assert all(torch.equal(each.images, images) for each in cases.values())
    pixels = images.numpy().astype(int)
    assert (cases["one pixel"].labels.numpy() == pixels[:, 9]).all()
    assert (cases["parity of 2 pixels"].labels.numpy() == pixels[:, 9] ^ pixels[:, 30]).all()
    assert (cases["parity of all pixels"].labels.numpy() == np.bitwise_xor.reduce(pixels, axis=1)).all()
    # A bar of a row leaves eight pixels of which nine in ten are inked; without it some are, by columns and noise. The first bar is row 0.
    two, three = cases["parity of 2 bars"].labels.numpy(), cases["parity of 3 bars"].labels.numpy()
    guessed = pixels.reshape(-1, 8, 8)[:, 3].sum(1) >= 6
    assert ((two ^ three).astype(bool) == guessed).mean() > 0.9  # the third is row 3
