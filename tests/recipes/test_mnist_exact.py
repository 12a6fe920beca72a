"""The mnist-exact recipe, in a smoke run on files of the right shape."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from harmonium.data import binarise
from harmonium.data.binarise import Resampled
from harmonium.recipes.exact import measured_learning
from harmonium.recipes.exact import recipe as mnist_exact
from harmonium.recipes.exact.measured_learning import Learnt, Measurement, Plan, mean_at, nats_at, untrained
from harmonium.recipes.exact.recipe import GRID, RULES, MnistExact, machines_of_rules
from harmonium.runs.folder import Run
from tests.recipes.test_command_line import harmonium


@pytest.fixture(scope="module")
def options(grey_mnist: Path, tmp_path_factory: pytest.TempPathFactory) -> MnistExact:
    return MnistExact(smoke=True, threads=1, data_dir=grey_mnist, repeats=2, out=tmp_path_factory.mktemp("run") / "run")


@pytest.fixture(scope="module")
def finished(options: MnistExact) -> Run:
    run = Run.begin("mnist-exact", options)
    options.run(run)
    return run


def test_every_rule_and_gradient_has_its_nats(options: MnistExact, finished: Run) -> None:
    metrics = finished.results()["metrics"]
    for rule in ("cd1", "cd3", "cd25", "pcd", "fast_pcd", "tempered_cd"):
        assert -784 < metrics[f"test_nats_{rule}_20_hidden"]["value"] < 0
        assert metrics[f"seconds_{rule}_20_hidden"]["value"] >= metrics["equal_seconds"]["value"] > 0
    assert metrics["test_nats_cd1_20_hidden"]["published"] == "-164.50 (settings not known)"
    judged = {name for name in metrics if name.startswith("test_nats") and not name.endswith("at_equal_seconds")}
    assert {name for name, metric in metrics.items() if metric.get("verdict") == "exact"} == judged
    assert metrics["test_nats_pcd_20_hidden"]["published"] == "-150.11 (settings not known)"
    for gradient in ("plain", "centred", "enhanced"):
        for cases in ("", "_flipped"):
            assert -784 < metrics[f"test_nats_{gradient}{cases}_16_hidden_threshold"]["value"] < 0
    assert metrics["test_nats_plain_flipped_16_hidden_threshold"]["published"] == "-183.36"
    assert set(options.published) <= metrics.keys()
    page = (finished.folder / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 5


def test_a_figure_is_the_mean_over_machines_of_exact_nats(options: MnistExact, finished: Run) -> None:
    """log Z by listing all hidden states in float64, apart from the package."""
    metrics = finished.results()["metrics"]
    test = binarise(options.cases()[1], "fixed", seed=30).numpy().astype(float)
    machines = machines_of_rules(options, finished)["CD-3"]
    assert len(machines) == options.repeats
    found = []
    for one in machines:
        b, c, w = (each.detach().double().numpy() for each in one.machine.parameters())
        b, c = (b, c) if len(b) == 784 else (c, b)
        h = (np.arange(2 ** len(c))[:, None] >> np.arange(len(c))) & 1
        log_z = np.logaddexp.reduce(h @ c + np.logaddexp(0, b + h @ w.reshape(784, -1).T).sum(1))
        found.append((test @ b + np.logaddexp(0, c + test @ w.reshape(784, -1)).sum(1)).mean() - log_z)
        assert one.nats == pytest.approx(found[-1], abs=1e-3)
    assert metrics["test_nats_cd3_20_hidden"]["value"] == pytest.approx(np.mean(found), abs=1e-3)


def test_the_search_judges_on_training_cases_that_it_does_not_learn(
    grey_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist_exact, "RULES", {"PCD": RULES["PCD"]})
    options = MnistExact(smoke=True, threads=1, data_dir=grey_mnist, part="search", out=tmp_path / "run")
    train, valid = options.cases()[0][:-100], binarise(options.cases()[0][-100:], "fixed", seed=30)
    seen: list[tuple[int, bool]] = []
    learn = measured_learning.learn

    def spy(run: Run, plan: Plan, data: Resampled, cases: torch.Tensor) -> Learnt:
        seen.append((len(data), torch.equal(cases, valid)))
        return learn(run, plan, data, cases)

    monkeypatch.setattr(mnist_exact, "learn", spy)
    results = options.run(Run.begin("mnist-exact", options))
    assert seen == [(len(train), True)] * len(GRID)
    assert set(results["metrics"]) == {f"validation_nats_pcd_5_hidden_rate_{rate:g}" for rate in GRID}
    assert results["setting"] == "smoke, search alone"
    assert "The search" in (tmp_path / "run" / "report.html").read_text()


def test_a_finished_machine_is_not_learnt_again(options: MnistExact, finished: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*arguments: object, **named: object) -> None:
        raise AssertionError("a finished machine was learnt or judged again")

    before = finished.results()["metrics"]
    monkeypatch.setattr(measured_learning, "fit", never)
    monkeypatch.setattr(measured_learning, "exact_log_z", never)
    assert options.run(Run.open(finished.folder))["metrics"] == before
    finished.checkpoint("CD-25 machine 1 judged").unlink()
    with pytest.raises(AssertionError, match="a finished machine"):
        options.run(Run.open(finished.folder))
    options.report(finished)  # of what is there


def test_a_part_alone(grey_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("run", "mnist-exact", "--smoke", "--threads", "1", "--part", "centring", "--centring-repeats", "1")
    assert harmonium(monkeypatch, *words, "--data-dir", str(grey_mnist), "--out", str(tmp_path / "run")) is None
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["setting"] == "smoke, centring alone"
    assert all(name.endswith("_16_hidden_threshold") for name in results["metrics"])
    assert len(results["metrics"]) == 6


def test_the_protocols(options: MnistExact) -> None:
    full = MnistExact()
    assert {name: len(full.plans(name)) for name in RULES} == dict.fromkeys(RULES, full.repeats)
    assert len({plan.phase for name in RULES for plan in [*full.plans(name), *full.search(name).values()]}) == len(RULES) * (
        full.repeats + len(GRID)
    )
    first, second = full.centrings("centred", False)
    assert (first.hidden, first.rate, first.epochs, first.averaging, first.negative.chains) == (16, 0.01, 50, None, 100)
    weights = untrained(first).coupling.matrix()
    reach = 4 * math.sqrt(6 / 800)
    assert 0.99 * reach < weights.abs().max() <= reach
    assert weights.std() == pytest.approx(reach / math.sqrt(3), rel=0.02)
    assert not torch.equal(weights, untrained(second).coupling.matrix())
    assert torch.equal(weights, untrained(full.centrings("plain", True)[0]).coupling.matrix())  # the same beginning for all gradients


def test_nats_at_equal_seconds() -> None:
    measurements = [Measurement(600, 1.0, 0.0, -160.0), Measurement(1200, 4.0, 0.0, -150.0), Measurement(2400, 8.0, 0.0, -148.0)]
    assert nats_at(measurements, 2.0) == pytest.approx(-155.0)  # half way from 1 to 4 s, in logarithms
    assert nats_at(measurements, 8.0) == pytest.approx(-148.0)
    assert nats_at(measurements, 0.5) is None
    assert nats_at(measurements, 9.0) is None
    machine = untrained(MnistExact().centrings("plain", False)[0])
    later = [Measurement(600, 3.0, 0.0, -150.0), Measurement(1200, 5.0, 0.0, -150.0)]
    assert mean_at([Learnt(machine, measurements), Learnt(machine, later)], 4.0) == pytest.approx(-150.0)
    assert mean_at([Learnt(machine, measurements), Learnt(machine, later)], 2.0) is None


def test_a_run_needs_machines() -> None:
    with pytest.raises(ValueError, match="one machine of each kind"):
        MnistExact(repeats=0)
