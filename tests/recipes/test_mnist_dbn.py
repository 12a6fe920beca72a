"""Every step of the MNIST recipe, on files of the real format and size without digits in them."""

import json
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

import harmonium as hm
from harmonium import cli
from harmonium.models import DBN
from harmonium.recipes import MnistDbn
from harmonium.recipes.dbn.rows import CONJUGATE, PLAIN, RANDOM
from harmonium.recipes.shared.fine_tuned_stack import Plan, tune_all
from harmonium.recipes.shared.labelled_split import Split
from harmonium.recipes.shared.stack import Generation, Layers, Tuning, rbms
from harmonium.runs.folder import Run


def test_a_smoke_run_goes_through_every_step(grey_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["run", "mnist-dbn", "--smoke", "--threads", "1", "--data-dir", str(grey_mnist), "--out", str(tmp_path / "run")]
    monkeypatch.setattr(sys, "argv", ["harmonium", *words])
    cli.main()
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["setting"] == "smoke"
    # One label, one image. 1.25 is the generative model of images and labels, which is mnist-joint's.
    assert results["metrics"]["test_error_percent"] == {"published": "1.2 (paper), 1.15 (slide)", "value": 0.0, "unit": "%"}
    assert results["metrics"]["test_conjugate_gradients_error_percent"] == {"published": "1.2", "value": 0.0, "unit": "%"}
    assert results["metrics"]["test_dropout_error_percent"]["published"] == "0.92"
    assert results["metrics"]["test_no_pretraining_error_percent"]["published"] == "1.6 (one or two hidden layers)"
    assert results["metrics"]["test_svm_error_percent"]["value"] == 0
    tests = {name: metric["value"] for name, metric in results["metrics"].items() if name.startswith("mcnemar_p_")}
    assert tests == {
        "mcnemar_p_no_pretraining_against_svm": 1,
        "mcnemar_p_svm_against_conjugate_gradients": 1,
        "mcnemar_p_conjugate_gradients_against_pretraining": 1,
        "mcnemar_p_pretraining_against_dropout": 1,
    }
    assert (tmp_path / "run" / "report.html").stat().st_size > 100_000


def test_each_net_begins_where_it_is_planned(tmp_path: Path) -> None:
    """The body does not learn in epochs of the head: it is the stack's, or random with the planned spread."""
    layers = Layers(units=(40, 30), epochs=1)
    stack = DBN(rbms(64, layers, 5))
    images = torch.randint(256, (50, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(50) % 10
    tunings = {PLAIN: Tuning(epochs=1, head_epochs=1), RANDOM: Tuning(epochs=1, head_epochs=1, pretrained=False)}
    run = Run.begin("mnist-dbn", MnistDbn(out=tmp_path / "run"))
    nets = tune_all(run, Plan("smoke", layers, Generation(), tunings, 3), Split(images, labels, images, labels, "test"), stack, 10)
    for place, rbm in ((1, stack.rbms[0]), (3, stack.rbms[1])):
        weight = rbm.coupling.get_parameter("weight").T
        assert torch.equal(nets[PLAIN][place].weight, weight)
        found = nets[RANDOM][place].weight
        assert not torch.equal(found, weight)
        # The standard error of a standard deviation of n normal numbers is σ / √2n.
        spread = (32 / sum(weight.shape)) ** 0.5
        assert abs(found.std().item() - spread) < 5 * spread / (2 * weight.numel()) ** 0.5


def test_the_protocol_of_2006_searches_along_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used: dict[str, object] = {}
    monkeypatch.setattr("harmonium.recipes.shared.stack.fine_tune", lambda net, images, labels, **settings: used.update(settings))
    images, labels = torch.zeros(20, 64, dtype=torch.uint8), torch.arange(20) % 10
    recipe = MnistDbn(out=tmp_path / "run")
    layers = Layers(units=(4, 3), epochs=1)
    plan = Plan("full", layers, Generation(), {CONJUGATE: recipe.plan().tunings[CONJUGATE]}, 3)
    tune_all(Run.begin("mnist-dbn", recipe), plan, Split(images, labels, images, labels, "test"), DBN(rbms(64, layers, 5)), 10)
    optimizer = used["optimizer"]
    assert isinstance(optimizer, partial)
    assert optimizer.func is hm.ConjugateGradients
    assert optimizer.keywords == {"searches": 3}
    assert (used["batch_size"], used["head_epochs"], used["schedule"]) == (1000, 5, None)
