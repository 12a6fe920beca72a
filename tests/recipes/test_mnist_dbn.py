"""Every step of the MNIST recipe, on files of the real format and size without digits in them."""

import json
import sys
from pathlib import Path

import pytest

from harmonium import cli


def test_a_smoke_run_goes_through_every_step(grey_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["run", "mnist-dbn", "--smoke", "--threads", "1", "--data-dir", str(grey_mnist), "--out", str(tmp_path / "run")]
    monkeypatch.setattr(sys, "argv", ["harmonium", *words])
    cli.main()
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["setting"] == "smoke"
    # One label, one image. 1.25 is the generative model of images and labels, which is mnist-joint's.
    assert results["metrics"]["test_error_percent"] == {"published": "1.2 (paper), 1.15 (slide)", "value": 0.0, "unit": "%"}
    assert results["metrics"]["test_dropout_error_percent"]["published"] == "0.92"
    assert results["metrics"]["test_no_pretraining_error_percent"]["published"] == "1.6 (one or two hidden layers)"
    assert results["metrics"]["test_svm_error_percent"]["value"] == 0
    tests = {name: metric["value"] for name, metric in results["metrics"].items() if name.startswith("mcnemar_p_")}
    assert tests == {
        "mcnemar_p_no_pretraining_against_svm": 1,
        "mcnemar_p_svm_against_pretraining": 1,
        "mcnemar_p_pretraining_against_dropout": 1,
    }
    assert (tmp_path / "run" / "report.html").stat().st_size > 100_000
