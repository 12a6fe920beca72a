"""The likelihood recipes on MNIST, in a smoke run on files of the right shape."""

import json
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from harmonium.files import read_tensors
from harmonium.learning import TrainingState
from harmonium.likelihood import exact_log_z, log_likelihood
from harmonium.models import DBM, RBM
from harmonium.recipes import MnistDbm, MnistDbnBound, MnistRbm
from harmonium.recipes.shared.persistent_plan import Persistent
from harmonium.runs.folder import Run
from harmonium.runs.options import check_recordable
from tests.recipes.test_command_line import harmonium


def smoke(monkeypatch: pytest.MonkeyPatch, name: str, grey_mnist: Path, out: Path, *words: str) -> dict[str, dict[str, float]]:
    command = ["run", name, "--smoke", "--threads", "1", "--data-dir", str(grey_mnist), "--out", str(out), *words]
    assert harmonium(monkeypatch, *command) is None
    metrics: dict[str, dict[str, float]] = json.loads((out / "results.json").read_text())["metrics"]
    return metrics


def test_mnist_rbm_learns_is_judged_and_drawn(tmp_path: Path, grey_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = smoke(monkeypatch, "mnist-rbm", grey_mnist, tmp_path / "run", "--seed", "3")
    assert {"test_nats_fixed_stochastic", "log_z", "effective_sample_size", "free_energy_gap"} <= metrics.keys()
    assert -784 < metrics["test_nats_fixed_stochastic"]["value"] < 0
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert [row["epoch"] for row in results["curve"]] == [1, 2]
    assert (tmp_path / "run" / "evaluation.png").exists()
    found = Run.open(tmp_path / "run")
    options = MnistRbm(smoke=True, data_dir=grey_mnist)
    unnormalised = log_likelihood(options.learnt(found), options.pixels(options.cases()[1], 30), log_z=0.0).mean().item()
    highest = max(metrics[f"log_z{way}"]["value"] for way in ("", "_of_a_quarter_of_the_betas", "_by_reverse_ais", "_by_raise"))
    nats = results["metrics"]["test_nats_fixed_stochastic"]
    assert highest > metrics["log_z"]["value"] + 1e-5
    assert nats["value"] == pytest.approx(unnormalised - highest, abs=1e-6)  # the lowest of the estimates, not the longest
    assert nats["verdict"] == "consistent"
    assert nats["trust"].startswith("Take this figure as optimistic")
    report = (tmp_path / "run" / "report.html").read_text()
    assert report.count("data:image/png;base64,") == 4
    assert harmonium(monkeypatch, "evaluate", str(tmp_path / "run"), "--betas", "20", "--sweeps", "5") is None
    assert harmonium(monkeypatch, "sample", str(tmp_path / "run"), "--steps", "2") is None
    assert (tmp_path / "run" / "samples.png").exists()


def test_the_binarisation_is_named_with_the_number(tmp_path: Path, grey_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = smoke(monkeypatch, "mnist-rbm", grey_mnist, tmp_path / "run", "--binarisation", "threshold", "--hidden", "12")
    assert "test_nats_threshold" in metrics
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["setting"] == "smoke, learnt from threshold pixels"
    assert [MnistRbm(binarisation=kind).setting for kind in ("resampled", "fixed")] == [
        "full, learnt from resampled pixels",
        "full, learnt from fixed pixels",
    ]
    assert MnistRbm.published["test_nats_fixed_stochastic"] == "-86.34 (learnt from fixed pixels)"
    check_recordable(MnistRbm(binarisation="fixed"))
    assert MnistRbm(binarisation="fixed").metric == "test_nats_fixed_stochastic"
    assert MnistRbm(held_out=100).metric == "validation_nats_fixed_stochastic"


def test_mnist_dbn_bound_reports_the_bound_beside_the_first_rbm(tmp_path: Path, grey_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = smoke(monkeypatch, "mnist-dbn-bound", grey_mnist, tmp_path / "run", "--units", "12", "800")
    bound, alone = (metrics[name]["value"] for name in ("test_bound_nats", "bottom_rbm_test_nats_fixed_stochastic"))
    assert metrics["improvement_nats"]["value"] == pytest.approx(bound - alone)
    verdicts = [metrics[name]["verdict"] for name in ("test_bound_nats", "bottom_rbm_test_nats_fixed_stochastic")]
    assert verdicts == ["exact", "exact"]  # twelve units of the first layer
    assert str(metrics["test_bound_nats"]["trust"]).startswith("A lower bound in which log Z of the top RBM is exact")
    assert metrics["test_tightened_bound_nats"]["value"] >= bound
    found = Run.open(tmp_path / "run")
    options = MnistDbnBound(smoke=True, units=(12, 800), data_dir=grey_mnist)
    net = options.learnt(found)
    assert [rbm.hidden.shape for rbm in net.rbms] == [(12,), (800,)]
    assert metrics["top_log_z"]["value"] == pytest.approx(exact_log_z(net.top), abs=1e-3)
    assert harmonium(monkeypatch, "sample", str(found.folder), "--steps", "2") is None


@pytest.mark.parametrize(("start", "alone"), [("single", ["first layer"]), ("doubled", ["first layer", "second layer"])])
def test_mnist_dbm_learns_its_layers_one_at_a_time_then_together(
    start: Literal["single", "doubled"], alone: list[str], tmp_path: Path, grey_mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: dict[str, torch.Tensor] = {}

    def fit(self: Persistent, run: Run, phase: str, rbm: RBM | DBM, *rest: Any, **more: Any) -> TrainingState:
        if isinstance(rbm, DBM):
            begun[phase] = rbm.couplings[0].matrix().detach().clone()
        return learn(self, run, phase, rbm, *rest, **more)

    learn = Persistent.fit
    monkeypatch.setattr(Persistent, "fit", fit)
    metrics = smoke(monkeypatch, "mnist-dbm", grey_mnist, tmp_path / "run", "--units", "12", "20", "--start", start)
    monkeypatch.setattr(Persistent, "fit", learn)
    first = read_tensors(tmp_path / "run" / "checkpoints" / "first-layer.safetensors")[0]
    assert torch.equal(begun["all layers"], first["slots.averaging.coupling.weight"])  # where the first layer's averaged machine ended
    bound, tight = (metrics[name]["value"] for name in ("test_bound_nats", "test_tightened_bound_nats"))
    assert -784 < bound <= tight < 0
    assert metrics["test_bound_nats"]["published"] == "-84.62"
    assert metrics["test_bound_nats_before_learning_together"]["value"] != bound
    without = metrics["test_nats_without_upper_weights"]
    assert metrics["ablation_nats"]["value"] == pytest.approx(bound - without["value"])  # log Z is exact in both
    assert [metrics[name]["verdict"] for name in ("test_bound_nats", "test_nats_without_upper_weights")] == ["exact", "exact"]
    found = Run.open(tmp_path / "run")
    assert {phase: len(rows) for phase, rows in found.histories().items()} == {
        **dict.fromkeys(alone, 1),
        "all layers": 2,
        "fine-tuning": 3,
        "fine-tuning with dropout": 3,
    }
    assert {metrics[f"test_{name}"]["published"] for name in ("error_percent", "dropout_error_percent")} == {"0.95", "0.79"}
    assert "mean_field_change" in found.histories()["all layers"][0]
    machine = MnistDbm(smoke=True, units=(12, 20), start=start, data_dir=grey_mnist).learnt(found)
    assert [unit.shape for unit in machine.layers] == [(784,), (12,), (20,)]
    assert metrics["log_z"]["value"] == pytest.approx(exact_log_z(machine.joint), abs=1e-3)
    before = json.loads((found.folder / "results.json").read_text())["metrics"]
    assert harmonium(monkeypatch, "resume", str(found.folder)) is None
    assert json.loads((found.folder / "results.json").read_text())["metrics"] == before
    report = (found.folder / "report.html").read_text()
    assert report.count("data:image/png;base64,") == 4
    assert harmonium(monkeypatch, "evaluate", str(found.folder), "--betas", "20", "--sweeps", "5") is None
    assert harmonium(monkeypatch, "sample", str(found.folder), "--steps", "2") is None
    with pytest.raises(ValueError, match="mean_field_sweeps=0"):
        MnistDbm(mean_field_sweeps=0)
    with pytest.raises(ValueError, match="refit=0"):
        MnistDbm(refit=0)
    with pytest.raises(ValueError, match="the probability that a chain begins anew"):
        MnistDbm(restarts=2)


def test_mnist_dbm_can_be_judged_by_its_bound_alone(tmp_path: Path, grey_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = smoke(monkeypatch, "mnist-dbm", grey_mnist, tmp_path / "run", "--units", "12", "20", "--bound-alone")
    assert {"test_bound_nats", "ablation_nats"} < metrics.keys()
    assert not any(name.endswith("error_percent") for name in metrics)
    assert set(Run.open(tmp_path / "run").histories()) == {"first layer", "second layer", "all layers"}
    assert json.loads((tmp_path / "run" / "results.json").read_text())["setting"] == "smoke, the bound alone"


def test_a_run_is_not_quick_and_long_at_once() -> None:
    with pytest.raises(ValueError, match="not both"):
        MnistRbm(quick=True, long=True)


def test_a_second_layer_that_cannot_hold_the_first_is_refused_before_anything_is_learnt() -> None:
    with pytest.raises(ValueError, match="at least the 784"):
        MnistDbnBound(units=(500, 100))


def test_a_run_of_an_earlier_version_is_not_gone_on_with_under_other_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"recipe": "mnist-dbm", "settings": {"seed": 1}, "commit": ""}))
    found = harmonium(monkeypatch, "resume", str(tmp_path))
    assert "earlier version, which did not have" in str(found)
    assert "start" in str(found)
