"""Convolutional nets of MNIST, on files of the real format and size without digits in them."""

import json
from pathlib import Path

import pytest
import torch

import harmonium as hm
from harmonium.recipes.conv import recipe
from harmonium.recipes.conv.layers import Maps, machines
from harmonium.recipes.conv.recipe import MnistConv, with_distortions
from harmonium.recipes.shared.labelled_split import Split
from harmonium.recipes.shared.stack import Tuning
from harmonium.runs.folder import Run
from tests.recipes.test_command_line import harmonium


def test_a_smoke_run_learns_both_starts_with_and_without_distortions(
    grey_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["run", "mnist-conv", "--smoke", "--threads", "1", "--data-dir", str(grey_mnist), "--out", str(tmp_path / "run")]
    assert harmonium(monkeypatch, *words) is None
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["setting"] == "smoke"
    names = [f"test_{kind}error_percent_{start}" for kind in ("", "distorted_") for start in ("pretrained", "random")]
    assert list(results["metrics"]) == names
    assert all(0 <= results["metrics"][name]["value"] <= 100 for name in names)
    assert (tmp_path / "run" / "report.html").stat().st_size > 20_000


def test_layers_see_the_pooled_maps_below() -> None:
    first, second = machines(Maps(channels=(3, 4)), 0)
    assert first.hidden.shape == (3, 24, 24)
    assert first.hidden.output_shape == second.visible.shape == (3, 12, 12)
    assert second.hidden.output_shape == (4, 4, 4)
    net = hm.nets.classifier(hm.DBN([first, second]), classes=10)
    v = torch.rand(2, 784, generator=torch.Generator().manual_seed(0))
    below = first.hidden.output(first.hidden_mean(v.reshape(2, 1, 28, 28)))
    above = second.hidden.output(second.hidden_mean(below))
    torch.testing.assert_close(net[:-1](v), above.flatten(1))


def test_blocks_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match=r"layer 1 of kernel 6 .* has 23 x 23 places, which do not divide into blocks of 2 x 2"):
        machines(Maps(kernel=6), 0)
    with pytest.raises(ValueError, match="at least one map"):
        Maps(channels=(3, 0))
    with pytest.raises(ValueError, match="--distortions takes numbers from 0"):
        MnistConv(distortions=-1)


def test_distorted_copies_keep_their_labels() -> None:
    images = torch.zeros(2, 784, dtype=torch.uint8)
    images[0, 400] = 255
    more = with_distortions(Split(images, torch.tensor([3, 5]), images, torch.tensor([3, 5]), "test"), 2, 1)
    assert more.images.shape == (6, 784)
    assert more.labels.tolist() == [3, 5, 3, 5, 3, 5]
    assert torch.equal(more.images[:2], images)
    assert [bool(image.any()) for image in more.images] == [True, False] * 3
    assert not torch.equal(more.images[2], more.images[4])


def test_each_start_has_its_own_tuning(grey_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used: dict[str, tuple[hm.DBN, Tuning]] = {}

    def tune(run: Run, phase: str, stack: hm.DBN, cases: Split, classes: int, tuning: Tuning, seed: int) -> torch.nn.Module:
        used[phase] = stack, tuning
        return hm.nets.classifier(hm.RBM(hm.Bernoulli(784, values="probabilities"), 2), classes)

    monkeypatch.setattr(recipe, "tune", tune)
    options = MnistConv(smoke=True, threads=1, data_dir=grey_mnist, out=tmp_path / "run")
    run = Run.begin("mnist-conv", options)
    options.run(run)
    rates = {phase: tuning.learning_rate for phase, (_, tuning) in used.items()}
    assert rates == {
        "backpropagation, pretrained": 0.2,
        "backpropagation, random": 0.08,
        "backpropagation, distorted pretrained": 0.2,
        "backpropagation, distorted random": 0.08,
    }
    assert used["backpropagation, distorted random"][1].decay == 0.8
    learnt = recipe.learnt(run, options.plan().maps, 0)
    for phase, (stack, _) in used.items():
        kernels = [each.rbms[0].coupling.get_parameter("weight") for each in (stack, learnt)]
        assert torch.equal(*kernels) == ("random" not in phase)
