"""The recipe's steps."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from harmonium import cli
from harmonium.files import read_tensors
from harmonium.recipes import CdBias
from harmonium.recipes.cd_bias.recipe import FAMILIES, distributions


def smoke(monkeypatch: pytest.MonkeyPatch, *words: str) -> object:
    monkeypatch.setattr(sys, "argv", ["harmonium", *words])
    return cli.main()


def test_a_smoke_run_goes_through_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    smoke(monkeypatch, "run", "cd-bias", "--smoke", "--threads", "1", "--out", str(folder))
    results = json.loads((folder / "results.json").read_text())
    assert results["setting"] == "smoke"
    metrics = {name: metric["value"] for name, metric in results["metrics"].items()}
    with_cost = {f"kl_gap_{rule}_weight_cost_nats" for rule in ("cd1", "cd10", "pcd", "tempered")}
    without = {f"kl_gap_{rule}_no_weight_cost_nats" for rule in ("cd1", "cd10")}  # no chains there
    assert {name for name in metrics if re.fullmatch(r"kl_gap_\w+_weight_cost_nats", name)} == with_cost | without
    assert metrics.keys() >= CdBias.published.keys()
    assert all(np.isfinite(value) for value in metrics.values())
    assert metrics["kl_gap_cd1_no_weight_cost_nats"] >= metrics["kl_gap_cd10_no_weight_cost_nats"] > -1e-9
    assert metrics["asymmetry_cd1"] > 0.01
    assert metrics["asymmetry_likelihood"] < 1e-12
    assert metrics["contrast_above_least_nats"] > 0
    report = (folder / "report.html").read_text()
    assert report.count("data:image/png;base64,") == 5
    assert not re.search(r"""(?:src|href)=["']?https?:""", report)
    # One phase lost: it comes out the same, the others are not done again.
    lost, kept = folder / "checkpoints" / "PCD.safetensors", folder / "checkpoints" / "CD-1.safetensors"
    before, since = read_tensors(lost)[0], kept.stat().st_mtime_ns
    lost.unlink()
    smoke(monkeypatch, "resume", str(folder))
    again = read_tensors(lost)[0]
    assert again.keys() == before.keys()
    assert all(torch.equal(again[name], before[name]) for name in before)
    assert kept.stat().st_mtime_ns == since
    assert json.loads((folder / "results.json").read_text())["metrics"] == results["metrics"]
    capsys.readouterr()
    for command in ("evaluate", "sample"):
        with pytest.raises(SystemExit, match="no run of one model"):
            smoke(monkeypatch, command, str(folder))


def test_distributions_are_of_their_families() -> None:
    p = distributions(CdBias(each=3, seed=1))
    assert p.shape == (15, 256)
    torch.testing.assert_close(p.sum(1), torch.ones(15, dtype=torch.float64))
    entropy = -torch.xlogy(p, p).sum(1).reshape(len(FAMILIES), 3).mean(1)
    assert entropy[0] > entropy[1] + 0.5
    assert entropy[2] > entropy[3] > entropy[4]
    # Spins without biases: a state is as likely as its opposite.
    torch.testing.assert_close(p[6:], p[6:].flip(1))
