"""The eth80 recipe: its pixels, its layers and its judge against plain arithmetic, and every step on drawn toys."""

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium import cli
from harmonium.recipes.eth80.judging import metrics
from harmonium.recipes.eth80.recipe import Eth80
from harmonium.recipes.eth80.representations import reduced, silhouettes
from harmonium.recipes.shared.feature_layers import Features, Kind, Split, features, layers, machine, standardised
from harmonium.recipes.shared.logistic_error import error_percent
from harmonium.runs.folder import Run
from tests.data.test_eth80 import content, write


@pytest.fixture
def toys(tmp_path: Path) -> Path:
    """Squares of a size and a grey level of their category's own, somewhere in the image."""
    generator, arrays = np.random.default_rng(0), content()
    images, masks = np.zeros((3280, 96, 96), np.uint8), np.zeros((3280, 96, 96), np.uint8)
    for view, category in enumerate(arrays["category"]):
        size, (top, left) = 20 + 6 * int(category), generator.integers(0, 30, 2)
        masks[view, top : top + size, left : left + size] = 1
        images[view] = masks[view] * (60 + 20 * int(category)) + 7 * (1 - masks[view])
    write(tmp_path, **{**arrays, "images": images, "masks": np.packbits(masks, axis=-1)})
    return tmp_path


def test_pixels_are_log_intensities_on_the_toy(toys: Path) -> None:
    views = hm.data.eth80.load(toys)
    grey, on = (each[5].reshape(96, 96).double().numpy() for each in (views.images, views.masks))
    squares = (np.log(1 + grey) * on).reshape(32, 3, 32, 3).mean((1, 3))
    np.testing.assert_allclose(reduced(views)[5].reshape(32, 32), squares, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(silhouettes(views)[5].reshape(32, 32), on.reshape(32, 3, 32, 3).mean((1, 3)), rtol=1e-6)


def test_the_mean_deviation_over_the_rows_learnt_from_is_the_gain() -> None:
    values, rows = torch.randn(50, 7, generator=torch.Generator().manual_seed(0)) * torch.arange(7), torch.arange(0, 50, 2)
    found = standardised(values, rows, 3.0)[rows]
    torch.testing.assert_close(found.mean(0), torch.zeros(7), atol=1e-5, rtol=0)
    assert found.std(0).mean().item() == pytest.approx(3)
    assert bool(standardised(torch.ones(4, 2), torch.arange(3), 3.0).eq(0).all())


def test_features_are_without_noise_and_random_weights_begin_at_the_edge() -> None:
    v = 3 * torch.randn(400, 60, generator=torch.Generator().manual_seed(0))
    for kind in ("rectified", "binary"):
        rbm = machine(hm.Gaussian(60, variance=1.0), kind, 500, seed=0)
        torch.nn.init.normal_(rbm.hidden.bias, generator=torch.Generator().manual_seed(1))
        total = v @ rbm.coupling.weight.detach() + rbm.hidden.bias.detach()
        expected = total.clamp(min=0) if kind == "rectified" else torch.sigmoid(total)
        torch.testing.assert_close(features(rbm, v, binary=kind == "binary"), expected, rtol=1e-5, atol=1e-5)
        assert torch.linalg.matrix_norm(rbm.coupling.weight.detach(), 2).item() == pytest.approx(1, rel=0.05)


def test_the_judge_errs_where_the_classes_overlap() -> None:
    """Two normal classes at ±1, of which no rule gets less wrong than Φ(-1) = 15.87 % (3 standard errors); and separable ones."""
    labels = torch.arange(8000) % 2
    values = (2.0 * labels - 1)[:, None] + torch.randn(8000, 1, generator=torch.Generator().manual_seed(0))
    split = Split(torch.arange(4000), torch.arange(4000, 8000))
    assert error_percent(values, labels, split, 1e-3) == pytest.approx(15.87, abs=300 * math.sqrt(0.1587 * 0.8413 / 4000))
    assert error_percent((2.0 * labels - 1)[:, None], labels, split, 1e-3) == 0


def test_differences_are_taken_split_by_split() -> None:
    found = {name: value for name, value, _ in metrics({"pixels": [20.0, 30.0], "layer_2": [10.0, 18.0]}, "test")}
    assert found["test_error_percent_pixels"] == 25
    assert found["pixels_less_layer_2"] == 11
    assert found["pixels_less_layer_2_standard_error"] == pytest.approx(1)  # of 10 and 12


def test_tuning_and_reported_divisions_differ(toys: Path) -> None:
    views = hm.data.eth80.load(toys)
    held = {tuple(Eth80(tuning=tuning).split(views, number).judged.tolist()) for tuning in (False, True) for number in range(3)}
    assert len(held) == 6
    assert [len(part) for part in Eth80(held_out=3).split(views, 0)] == [7 * 8 * 41, 3 * 8 * 41]
    for wrong in ({"splits": 0}, {"held_out": 10}):
        with pytest.raises(ValueError, match="at least one split, and 1 to 9 toys held out"):
            Eth80(**wrong)


@pytest.mark.parametrize("kind", ["rectified", "binary"])
def test_what_is_judged_on_has_no_part_in_learning(kind: Kind, tmp_path: Path) -> None:
    rows, split = torch.randn(60, 16, generator=torch.Generator().manual_seed(0)), Split(torch.arange(40), torch.arange(40, 60))
    other = torch.cat([rows[:40], 7 * torch.randn(20, 16, generator=torch.Generator().manual_seed(1))])
    how = Features(units=5, epochs=2, gain=1.0, gain_above=1.0, learning_rate=1e-3, rate_above=1e-3)
    found = []
    for number, values in enumerate((rows, other)):
        run = Run.begin("eth80", Eth80(out=tmp_path / str(number)))
        found.append([made[:40] for made in layers(run, kind, values, split, how, "split 1", 0, learn=True)])
    assert all(torch.equal(one, two) for one, two in zip(*found, strict=True))
    assert len(found[0]) == 2


def test_a_smoke_run_goes_through_every_step_and_goes_on_where_it_stopped(
    toys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["run", "eth80", "--smoke", "--threads", "1", "--data-dir", str(toys), "--out", str(tmp_path / "run")]
    monkeypatch.setattr(sys, "argv", ["harmonium", *words])
    cli.main()
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["setting"] == "smoke"
    assert set(results["errors"]) == {"mask", "pixels"} | {
        f"{kind}layer_{place}" for kind in ("", "binary_", "random_") for place in (1, 2)
    }
    assert all(len(each) == 2 and min(each) >= 0 and max(each) <= 100 for each in results["errors"].values())
    kept = sorted(path.stem for path in (tmp_path / "run" / "checkpoints").glob("*.safetensors"))
    assert kept == sorted(
        [
            *(f"split-{number}-errors" for number in (1, 2)),
            *(f"split-1-{kind}-layer-{n}" for kind in ("rectified", "binary") for n in (1, 2)),
        ]
    )
    assert (tmp_path / "run" / "report.html").stat().st_size > 20_000
    (tmp_path / "run" / "results.json").unlink()
    monkeypatch.setattr(Eth80, "report", lambda self, run: None)  # drawn above, and not looked at below
    cli.main()
    assert json.loads((tmp_path / "run" / "results.json").read_text())["errors"] == results["errors"]
