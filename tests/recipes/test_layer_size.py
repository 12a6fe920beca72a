"""The layer-size recipe: sizes and weights of shapes, and every step on files without digits in them."""

import json
import sys
from pathlib import Path

import pytest

from harmonium import cli
from harmonium.recipes.layer_size.recipe import LayerSize
from harmonium.recipes.layer_size.replicated_stacks import sizes_of, weights_of


def test_a_shape_is_read_and_its_weights_are_counted() -> None:
    assert sizes_of("500-500-2000") == (500, 500, 2000)
    assert weights_of("500-500-2000", 784, 10) == 784 * 500 + 500 * 500 + 500 * 2000 + 2000 * 10
    for wrong in ("", "500-", "500-x", "500-0", "500,500"):
        with pytest.raises(ValueError, match="a shape is the number of units of each layer"):
            LayerSize(shapes=("500", wrong))


def test_a_smoke_run_goes_through_every_step(grey_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["run", "layer-size", "--smoke", "--threads", "1", "--data-dir", str(grey_mnist), "--out", str(tmp_path / "run")]
    monkeypatch.setattr(sys, "argv", ["harmonium", *words])
    cli.main()
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["setting"] == "smoke"
    assert [each["shape"] for each in results["judged"]] == ["12-8", "8-12"]
    assert results["judged"][0]["weights"] == 784 * 12 + 12 * 8 + 8 * 10
    assert all(each["errors"] == [0.0, 0.0] for each in results["judged"])  # one label, one image
    assert set(results["metrics"]) == {f"test_error_percent_{shape}{end}" for shape in ("12_8", "8_12") for end in ("", "_sd")}
    assert len(list((tmp_path / "run" / "checkpoints").glob("*.safetensors"))) == 6
    assert (tmp_path / "run" / "report.html").stat().st_size > 20_000
