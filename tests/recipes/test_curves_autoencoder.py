"""The curves' recipe goes through every step, and its baselines are those of the images that it judges."""

import json
from pathlib import Path

import numpy as np
import pytest

from harmonium.data import curves
from harmonium.recipes import CurvesAutoencoder
from tests.recipes.test_command_line import harmonium


def test_a_smoke_run_goes_through_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    words = ("--smoke", "--threads", "1", "--out", str(folder), "--layers.units", "30", "20", "6", "--held-out", "200")
    assert harmonium(monkeypatch, "run", "curves-autoencoder", *words) is None
    results = json.loads((folder / "results.json").read_text())
    assert results["setting"] == "smoke"
    metrics = {name: metric["value"] for name, metric in results["metrics"].items()}
    assert {name.replace("test", "validation") for name in CurvesAutoencoder.published} <= metrics.keys()
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    updates = {row["phase"]: row["step"] for row in rows}
    assert updates["layer 1"] == 8 * 500 / 100  # an epoch of the eight ways of each image
    assert updates["backpropagation"] == updates["backpropagation from random weights"] == 2 * 8 * 500 / 200
    images = np.asarray(curves.load(1000, 500).train_images, dtype=float) / 255
    learnt, judged = images[:500], images[800:]
    axes = np.linalg.svd(learnt - learnt.mean(0), full_matrices=False)[2][:18]
    centred = judged - learnt.mean(0)
    error = ((centred - centred @ axes.T @ axes) ** 2).sum(1).mean()
    assert metrics["pca_18_validation_squared_error"] == pytest.approx(error, rel=1e-4)
    assert metrics["logistic_pca_free_codes_18_validation_squared_error"] < metrics["logistic_pca_free_codes_validation_squared_error"]
    assert (folder / "report.html").read_text().count("data:image/png;base64,") == 2
