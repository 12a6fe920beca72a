"""The benchmark of a learning step runs, and its figures hang together."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

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
