"""The benchmark of a learning step runs, and its figures hang together."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.special
import torch

FOLDER = Path(__file__).parents[1] / "benchmarks"


def test_rbm_step(tmp_path: Path) -> None:
    path = tmp_path / "step.json"
    options = {"--batches": "8", "--rounds": "3", "--rows": "64", "--repeats": "5", "--threads": "1", "--data": "random"}
    arguments = ["--no-peers", "--json", str(path), *(text for option in options.items() for text in option)]
    command = [sys.executable, str(FOLDER / "rbm_step.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "784 x 500, batches of 8" in done.stdout
    record = json.loads(path.read_text())
    rows = record["batches"]["8"]
    floor = rows[0]
    assert [row["contender"] for row in rows] == [
        "five matrix products",
        'harmonium: gradient, "mean"',
        'harmonium: gradient, "sample"',
        "harmonium: a step of hm.fit",
    ]
    for row in rows:
        values = np.array(row["values_ms"])
        assert len(values) == 3
        assert (values > 0).all()
        assert row["median_ms"] == pytest.approx(np.median(values))
        assert row["ratio_to_floor"] == pytest.approx(np.median(values / floor["values_ms"]))
    assert record["data"] == "random uint8"
    assert record["peers"] == {}
    assert record["machine"]["torch_threads"] == 1
    assert record["memory"]["peak_mib"] >= record["memory"]["imports_mib"] > 0


def test_too_few_rows_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    rbm_step = importlib.import_module("rbm_step")
    with pytest.raises(ValueError, match="at least two batches"):
        rbm_step.Arguments(batches=(100,), rows=150)


def test_sampling(tmp_path: Path) -> None:
    path = tmp_path / "sampling.json"
    options = {"--cases": "4", "--copies": "3", "--rounds": "3", "--repeats": "2", "--threads": "1"}
    command = [sys.executable, str(FOLDER / "sampling.py")]
    arguments = ["--json", str(path), *(text for option in options.items() for text in option)]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    record = json.loads(path.read_text())
    rows = {row["draw"]: row for row in record["cases"]["4"]}
    bars = {name: row["bar"] for name, row in rows.items() if "bar" in row}
    assert bars == {
        "Bernoulli": 2,
        "Spin": 2,
        "Gaussian": 2,
        "NoisyReLU": 3,
        "Softmax, 10 categories": 6,
        "Exponential": 6,
        "TruncatedGaussian": 15,
        "Binomial, 10 copies": 15,
        "Poisson": 15,
        "SteppedSigmoid": 15,
    }
    rand = np.array(rows["torch.rand"]["values_us"])
    for row in rows.values():
        values = np.array(row["values_us"])
        assert len(values) == 3
        assert (values > 0).all()
        assert row["median_us"] == pytest.approx(np.median(values))
        assert row["ratio_to_rand"] == pytest.approx(np.median(values / rand))
        assert row.get("holds") in (None, row["ratio_to_rand"] <= row.get("bar", 0))
    copies = rows["3 logistic copies"]
    taken = np.array(copies["values_us"])
    for unit, ratio in copies["ratio_to_rectified"].items():
        assert ratio == pytest.approx(np.median(taken / rows[unit]["values_us"]))
    assert record["machine"]["torch_threads"] == 1
    shown = subprocess.run([*command, "--from-json", str(path)], capture_output=True, text=True, check=True).stdout
    assert f"| Spin | {rows['Spin']['median_us']:,.0f} | {rows['Spin']['ratio_to_rand']:.2f} | 2" in shown


def test_the_sampling_benchmark_draws_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    sampling = importlib.import_module("sampling")
    drawn = sampling.draws(400, (3,), torch.Generator().manual_seed(0))
    for name, draw in drawn.items():
        assert draw().shape == (400, 500), name
        assert torch.isfinite(draw()).all(), name
    on = sampling.one_by_one(3, torch.ones(400, 500), torch.Generator().manual_seed(0))
    expected = scipy.special.expit(1 - np.array([0.5, 1.5, 2.5])).sum()
    assert on.mean().item() == pytest.approx(expected, abs=4 * 0.75 / np.sqrt(on.numel()))
