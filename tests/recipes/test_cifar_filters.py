"""The cifar-filters recipe: its measure of filters on drawn ones, its layers and nets against SciPy, and every step on drawn images."""

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares
from scipy.signal import correlate2d

import harmonium as hm
from harmonium import cli
from harmonium.data import cifar10
from harmonium.recipes.cifar.colour_layers import Layer, everywhere, noiseless, of_tiles, on_maxima
from harmonium.recipes.cifar.detectors import detectors
from harmonium.recipes.cifar.labelled_nets import Backpropagation, convolutional_net
from harmonium.recipes.cifar.recipe import CifarFilters
from harmonium.recipes.cifar.whitened_photographs import SIZE, as_planes, local_whitening
from harmonium.runs.folder import Run

SIDE = 8
DOWN, ACROSS = np.mgrid[:SIDE, :SIDE]


def gabor(place, angle, frequency, phase, width, length):
    """One plane, at parameters of no grid."""
    wave = (ACROSS - place[1]) * np.cos(angle) + (DOWN - place[0]) * np.sin(angle)
    along = (DOWN - place[0]) * np.cos(angle) - (ACROSS - place[1]) * np.sin(angle)
    return np.exp(-0.5 * ((wave / width) ** 2 + (along / length) ** 2)) * np.cos(2 * np.pi * frequency * wave + phase)


def drawn(count, frequency, width, seed):
    generator = np.random.default_rng(seed)
    return [
        gabor(
            generator.uniform(1.5, 5.5, 2),
            generator.uniform(0, np.pi),
            generator.uniform(*frequency),
            generator.uniform(0, 2 * np.pi),
            size := generator.uniform(*width),
            size * generator.uniform(1, 2),
        )
        for _ in range(count)
    ]


def weights(*filters):
    """(3, 8, 8) each -> (192, filters)."""
    return torch.tensor(np.stack(filters).reshape(len(filters), -1).T, dtype=torch.float32)


def grey(plane):
    return np.stack([plane] * 3)


def test_drawn_edges_and_stripes_are_detectors_of_their_kinds():
    edges = detectors(weights(*map(grey, drawn(60, (0.1, 0.2), (1.0, 1.8), 0))), SIDE)
    stripes = detectors(weights(*map(grey, drawn(60, (0.28, 0.4), (2.5, 4.0), 1))), SIDE)
    assert edges.percent == stripes.percent == 100
    assert edges.explained.min() > 0.85
    assert edges.by_kind()["edge"] >= 55
    assert stripes.by_kind()["frequency"] >= 55


def test_gabors_of_a_colour_and_spots_with_an_opponent_centre_detect_colour():
    """Yellow against blue; and a red centre in a green surround, whose shapes are two Gaussians of no grid."""
    yellow = [np.array([1, 1, -2])[:, None, None] * plane for plane in drawn(30, (0.1, 0.3), (1.0, 2.0), 2)]
    spots = []
    for place in np.random.default_rng(3).uniform(2.5, 4.5, (30, 2)):
        far = (DOWN - place[0]) ** 2 + (ACROSS - place[1]) ** 2
        centre, surround = np.exp(-far / 2 / 1.1**2), np.exp(-far / 2 / 2.3**2)
        spots.append(np.stack([centre - 0.3 * surround, 0.3 * centre - 0.8 * surround, 0 * far]))
    found = detectors(weights(*yellow, *spots), SIDE)
    assert found.kinds == ["colour"] * 60
    assert found.explained.min() > 0.8


def test_noise_is_none_and_neither_are_dead_filters():
    generator = torch.Generator().manual_seed(0)
    noise = detectors(torch.randn(192, 300, generator=generator), SIDE)
    assert noise.kinds == ["other"] * 300
    assert noise.explained.max() < 0.25
    alive = weights(*map(grey, drawn(8, (0.1, 0.2), (1.0, 1.8), 4)))
    found = detectors(torch.cat([alive, 1e-3 * alive[:, :2], torch.zeros(192, 1)], 1), SIDE)
    assert found.kinds[8:] == ["dead"] * 3
    assert found.percent == pytest.approx(100 * 8 / 11)
    assert detectors(torch.zeros(192, 2), SIDE).kinds == ["dead"] * 2


def test_what_is_explained_is_what_a_fit_explains():
    """Against SciPy, which fits all parameters of a Gabor function freely, with the amplitudes and phases of three colours."""
    generator = np.random.default_rng(5)
    for plane in drawn(2, (0.15, 0.25), (1.2, 2.0), 6):
        target = grey(plane) + 0.3 * np.abs(plane).max() * generator.normal(size=(3, SIDE, SIDE))

        def residuals(x, target=target):
            pair = np.stack([gabor(x[:2], x[2], x[3], phase, *np.exp(x[4:6])).ravel() for phase in (0, np.pi / 2)], 1)
            amplitudes, *_ = np.linalg.lstsq(pair, target.reshape(3, -1).T, rcond=None)
            return (target.reshape(3, -1).T - pair @ amplitudes).ravel()

        starts = [(y, x, angle, 0.2, 0.4, 0.6) for y in (2, 5) for x in (2, 5) for angle in np.arange(4) * np.pi / 4]
        best = min(np.sum(least_squares(residuals, start, max_nfev=60).fun ** 2) for start in starts)
        found = detectors(weights(target), SIDE).explained.item()
        share = 1 - best / np.sum(target**2)
        assert share - 0.06 < found < share + 0.02


def test_the_measure_is_the_same_of_turned_and_scaled_filters():
    filters = np.random.default_rng(7).normal(size=(20, 3, SIDE, SIDE)) + [
        grey(2 * plane) for plane in drawn(20, (0.1, 0.3), (1.0, 2.0), 8)
    ]
    one = detectors(weights(*filters), SIDE)
    for other in (5 * filters, -filters, filters[:, ::-1], filters[..., ::-1], np.moveaxis(filters, 2, 3)):
        again = detectors(weights(*other), SIDE)
        torch.testing.assert_close(again.explained, one.explained, atol=1e-4, rtol=0)
        assert again.kinds == one.kinds
    with pytest.raises(ValueError, match=r"\(192, filters\), found \(64, 3\)"):
        detectors(torch.zeros(64, 3), SIDE)


def images(cases, seed=0):
    """Smooth colours: (cases, 3072) bytes."""
    rough = torch.rand(cases, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(rough, size=32, mode="bilinear")
    return (255 * smooth).byte().flatten(1)


def test_local_whitening_is_that_of_the_middle_of_a_patch_and_moves_with_the_image():
    seen, gain = images(60), 2.0
    local = local_whitening(seen, gain, seed=3)
    drawn_patches = hm.data.patches(as_planes(seen), SIZE, 20_000, seed=3)
    _, whitening = hm.data.whiten(drawn_patches)
    places = [(12, 15), (4, 4), (27, 20)]
    found = as_planes(local(seen[:2]))
    mean = whitening.mean.reshape(3, -1).mean(1)  # of a colour; the mean of a patch's places differs a little from place to place
    for y, x in places:
        patch = as_planes(seen[:2])[:, :, y - 4 : y + 5, x - 4 : x + 5].double().flatten(2) - mean[:, None] + whitening.mean.reshape(3, -1)
        expected = gain * whitening(patch.flatten(1)).reshape(2, 3, SIZE, SIZE)[:, :, 4, 4]
        torch.testing.assert_close(found[:, :, y, x], expected.float(), atol=1e-3, rtol=1e-3)
    moved = as_planes(local(as_planes(seen[:2]).roll((2, 1), (2, 3)).flatten(1)))
    torch.testing.assert_close(moved[:, :, 8:24, 8:24], found[:, :, 6:22, 7:23], atol=1e-3, rtol=1e-3)


def test_tiles_become_a_convolution_everywhere():
    tiles, v = of_tiles(6, 5, 3, seed=1), torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.nn.init.normal_(tiles.hidden.bias, generator=torch.Generator().manual_seed(1))
    every = everywhere(6, 5, 2, tiles)
    inputs = (every.hidden_input(v) + every.hidden.bias)[:, :, 2:30:3, 2:30:3]  # a kernel's middle is its third pixel
    torch.testing.assert_close(inputs, tiles.hidden_input(v) + tiles.hidden.bias, atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="an odd number of pixels on each side, found 4: choose 5"):
        everywhere(6, 4, 2)


def test_the_convolutional_net_is_its_layers():
    """Against SciPy's correlations, capped, their maxima, and the probability that a block has a unit on."""
    stack = [everywhere(2, 3, 0), on_maxima(2, 3, 3, "random", 1)]
    with torch.no_grad():
        stack[0].hidden.bias.add_(0.3)
    v = 4 * torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    net = convolutional_net(stack, Backpropagation(1, 0.1, 0.1, dropout=0.5), 3).eval()

    def convolved(maps, rbm):
        kernels = rbm.coupling.weight.detach().numpy().astype(float)
        bias = rbm.hidden.bias.detach().numpy().ravel()
        return np.stack(
            [sum(correlate2d(m, k, mode="same") for m, k in zip(maps, ks, strict=True)) + b for ks, b in zip(kernels, bias, strict=True)]
        )

    def blocks(maps):
        return maps.reshape(len(maps), maps.shape[1] // 2, 2, -1, 2)

    rectified = blocks(np.clip(convolved(v[0].numpy().astype(float), stack[0]), 0, 6)).max((2, 4))
    assert rectified.max() == 6
    np.testing.assert_allclose(noiseless(stack[0], v)[0].numpy(), rectified, atol=1e-4)
    on = np.exp(blocks(convolved(rectified, stack[1]))).sum((2, 4))
    with torch.no_grad():
        torch.testing.assert_close(net[:-1](v.flatten(1))[0], torch.tensor((on / (1 + on)).ravel()).float(), atol=1e-4, rtol=1e-4)


def test_settings_that_cannot_be():
    with pytest.raises(ValueError, match="at least one unit and learns for at least one epoch"):
        Layer(0, 1, 0.1)
    with pytest.raises(ValueError, match="0 to 49,999 held out, found cases=50000, held_out=50000"):
        CifarFilters(held_out=50_000)
    assert CifarFilters(quick=True).setting == "quick"
    assert CifarFilters(form="original").setting == "full, original images"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of the original's form, of a few images of colours."""
    each = 40
    monkeypatch.setattr(cifar10, "OF_A_BATCH", each)
    (tmp_path / "data").mkdir()
    for number, name in enumerate((*cifar10.TRAIN, cifar10.TEST)):
        labels = np.arange(each, dtype=np.uint8)[:, None] % 10
        (tmp_path / "data" / name).write_bytes(np.concatenate([labels, images(each, number).numpy()], 1).tobytes())
    return tmp_path / "data"


def test_held_out_images_are_the_last_ones_and_are_not_learnt_from(folder: Path):
    cases = CifarFilters(form="original", held_out=30, data_dir=folder).split()
    train = cifar10.load("original", folder).train_images
    assert cases.name == "validation"
    assert torch.equal(cases.images, train[:170])
    assert torch.equal(cases.test_images, train[170:])


def test_a_smoke_run_goes_through_every_step_and_goes_on_where_it_stopped(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [
        "run",
        "cifar-filters",
        "--smoke",
        "--threads",
        "1",
        "--form",
        "original",
        "--data-dir",
        str(folder),
        "--out",
        str(tmp_path / "run"),
    ]
    monkeypatch.setattr(sys, "argv", ["harmonium", *words])
    cli.main()
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["setting"] == "smoke, original images"
    assert not results["lossy"]
    assert all(math.isfinite(each["value"]) for each in results["metrics"].values())
    assert sum(results["metrics"][f"{kind}_filters"]["value"] for kind in ("edge", "frequency", "colour", "other", "dead")) == 20
    assert {
        "localised_filters_percent",
        "test_accuracy_percent_permutation_invariant",
        "test_accuracy_percent_convolutional_random",
    } <= set(results["metrics"])
    assert (tmp_path / "run" / "report.html").stat().st_size > 20_000
    (tmp_path / "run" / "results.json").unlink()
    monkeypatch.setattr(CifarFilters, "report", lambda self, run: None)  # drawn above, and not looked at below
    cli.main()
    assert json.loads((tmp_path / "run" / "results.json").read_text())["metrics"] == results["metrics"]


def test_another_seed_stays_finite(folder: Path, tmp_path: Path) -> None:
    options = CifarFilters(smoke=True, threads=1, seed=1, form="original", data_dir=folder, out=tmp_path / "run")
    run = Run.begin("cifar-filters", options)
    assert all(math.isfinite(each["value"]) for each in options.run(run)["metrics"].values())
    rows = [value for rows in run.histories().values() for row in rows for value in row.values()]
    assert all(math.isfinite(value) for value in rows)
