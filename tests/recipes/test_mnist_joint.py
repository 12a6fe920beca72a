"""The joint recipe in a smoke run, on files of the real format whose images tell their labels."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from harmonium.data import mnist
from harmonium.learning import ContrastiveDivergence, PersistentCD
from harmonium.recipes import MnistDenoise, MnistJoint
from harmonium.recipes.denoise import recipe as denoise
from harmonium.recipes.denoise.schedule import FAMILIES, Schedule
from harmonium.recipes.joint.recipe import errors
from harmonium.recipes.shared.joint_net import UpDown
from harmonium.recipes.shared.labelled_split import Split
from harmonium.recipes.shared.stack import Layers
from harmonium.runs.folder import Run
from harmonium.runs.options import from_settings, settings_of, unlike_defaults
from tests.data.idx_files import write_blank_images, write_labels
from tests.recipes.test_command_line import harmonium
from tests.recipes.test_mnist_likelihood import smoke


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Label k is white in rows 2 k and 2 k + 1, so that anything that learns can tell."""
    folder = tmp_path_factory.mktemp("mnist")
    names = [name.removesuffix(".gz") for name in mnist.FILES]
    for at, counts in ((0, mnist.TRAIN_COUNTS), (2, mnist.TEST_COUNTS)):
        cases = sum(counts)
        write_blank_images(folder / names[at], cases, pixel=0)
        write_labels(folder / names[at + 1], counts)
        labels = np.frombuffer((folder / names[at + 1]).read_bytes()[8:], np.uint8)
        order = np.random.default_rng(0).permutation(cases)
        labels = labels[order]
        (folder / names[at + 1]).write_bytes((folder / names[at + 1]).read_bytes()[:8] + labels.tobytes())
        pixels = np.zeros((cases, 28, 28), np.uint8)
        for label in range(10):
            pixels[labels == label, 2 * label : 2 * label + 2] = 255
        (folder / names[at]).write_bytes((folder / names[at]).read_bytes()[:16] + pixels.tobytes())
    return folder


def test_every_step_is_gone_through(tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("--layers.units", "20", "20", "40")
    metrics = smoke(monkeypatch, "mnist-joint", images, tmp_path / "run", *words)
    assert metrics["test_greedy_error_percent"]["published"] == "2.49 (learnt from 44,000 cases)"
    assert metrics["test_error_percent"]["published"] == "1.25"
    for way in ("", "stochastic_passes_", "gibbs_"):
        assert 0 <= metrics[f"test_{way}error_percent"]["value"] <= 100
    assert 0 <= metrics["fantasies_recognised_percent"]["value"] <= 100
    assert metrics["fantasies_nearest_training_distance"]["value"] > 0
    page = (tmp_path / "run" / "report.html").read_text()
    assert all(words in page for words in ("Every class on demand", "What is on its mind", "Half an image completed", "recognised"))
    assert page.count("data:image/png;base64,") >= 7
    assert harmonium(monkeypatch, "sample", str(tmp_path / "run"), "--steps", "2") is None
    assert (tmp_path / "run" / "samples.png").exists()
    assert harmonium(monkeypatch, "report", str(tmp_path / "run")) is None


def test_the_net_of_a_run_is_the_averaged_one(tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("--layers.units", "20", "20", "40", "--held-out", "1000")
    metrics = smoke(monkeypatch, "mnist-joint", images, tmp_path / "run", *words)
    run = Run.open(tmp_path / "run")
    options = MnistJoint(smoke=True, threads=1, layers=Layers(units=(20, 20, 40), epochs=30), held_out=1000, data_dir=images)
    _, cases = options.cases()
    net = options.learnt(run)
    assert net.untied
    assert errors(options, net, cases)["error_percent"] == metrics["validation_error_percent"]["value"]
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert {row["phase"] for row in rows} >= {"layer 1", "layer 2", "top layer with labels", "up-down", "judge"}
    assert all("validation_error_percent" in row for row in rows if row["phase"] == "up-down")


def test_sweeps_rise_by_thirds_and_end_in_persistent_chains() -> None:
    plan = UpDown(epochs=9, chains=7)
    sweeps = [ContrastiveDivergence(3)] * 3 + [ContrastiveDivergence(6)] * 3
    assert [plan.negative(epoch) for epoch in range(9)] == [*sweeps, *[PersistentCD(7)] * 3]
    with pytest.raises(ValueError, match="at least one epoch"):
        UpDown(epochs=0)


def test_noise_is_removed_and_judged(tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = smoke(monkeypatch, "mnist-denoise", images, tmp_path / "run", "--layers.units", "20", "20", "40")
    for way in ("bottom_up", "top_down", "gate", "gate_noise_is_ink"):
        for kind in ("clean", "strokes", "grid", "block", "border", "salt_and_pepper"):
            assert 0 <= metrics[f"test_{way}_error_percent_{kind}"]["value"] <= 100
    cut = 100 * (1 - metrics["test_gate_error_percent_grid"]["value"] / metrics["test_bottom_up_error_percent_grid"]["value"])
    assert metrics["cut_percent_gate_grid"]["value"] == pytest.approx(cut)
    page = (tmp_path / "run" / "report.html").read_text()
    assert all(words in page for words in ("Does it improve recognition?", "Step by step: top-down", "Step by step: gate, noise is ink"))
    assert harmonium(monkeypatch, "report", str(tmp_path / "run")) is None


def test_schedules_go_up_and_end_bottom_up() -> None:
    schedule = Schedule(3, 0.0, 1.0, 2, 0.1, 0.99)
    assert schedule.path == [(1.0, 0.0), (0.5, 0.5), (0.0, 1.0), (1.0, 0.0), (1.0, 0.0)]
    assert schedule.words == "3 steps to (0, 1), then 2 bottom-up, gate 0.1, ink 0.99"
    assert all(len(set(schedules)) == len(schedules) for schedules in FAMILIES.values())
    with pytest.raises(ValueError, match="two hidden layers"):
        MnistJoint(layers=Layers(units=(5,), epochs=1))


@pytest.mark.parametrize(("cost", "robust"), [(0.1, 0.5), (0.4, 0.4), (9.0, 0.1)])
def test_the_best_schedule_that_clean_digits_can_bear_is_chosen(cost: float, robust: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stronger a gate the more it helps and the more it costs: 0.5 `cost` points, 0.4 half of that, and so on."""
    asked = []

    def error(dbn: object, images: torch.Tensor, labels: torch.Tensor, schedule: Schedule | None) -> float:
        asked.append(len(images))
        gate = 0.0 if schedule is None else schedule.robust or 0.0
        clean = len(images) == 60
        return 1.0 + (cost * 2.0 ** (10 * (gate - 0.5)) if schedule else 0.0) if clean else 50.0 - 50.0 * gate

    monkeypatch.setattr(denoise, "error_percent", error)
    digits, labels = torch.zeros(60, 784, dtype=torch.uint8), torch.zeros(60, dtype=torch.long)
    plain, chosen = denoise.choose(MnistDenoise(searched=20), None, Split(digits, labels, digits, labels, "validation"))  # type: ignore[arg-type]
    assert plain["clean"] == 1.0
    assert chosen["gate"].robust == chosen["gate, noise is ink"].robust == robust
    assert set(asked) == {20, 60}


def test_what_earlier_versions_wrote_is_still_a_run_of_the_same_settings() -> None:
    """mnist-denoise had an option --held-out that took nothing but 0: runs and records of it keep it among their settings."""
    settings = settings_of(MnistDenoise())
    assert settings["held_out"] == 0
    assert from_settings(MnistDenoise, settings) == MnistDenoise()
    assert unlike_defaults(MnistDenoise, settings) == []
    assert not any(field.name == "held_out" for field in dataclasses.fields(MnistDenoise))
    with pytest.raises(KeyError, match="held_out can no longer be 5"):
        from_settings(MnistDenoise, {**settings, "held_out": 5})
