"""Every step of the autoencoder's recipe, on files of the real format and size without digits in them; its figures worked out again."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from harmonium.data import mnist
from harmonium.recipes import MnistAutoencoder
from harmonium.recipes.shared.compared_autoencoders import error_of, learn_linear_code, linear_code, pca
from harmonium.recipes.shared.deep_autoencoder import Unrolled, random_start, squared_error
from tests.data.idx_files import idx_bytes, write, write_labels
from tests.recipes.test_command_line import harmonium


def write_noise(path: Path, count: int) -> None:
    """Images of which no two are alike: 32 grey pixels each, drawn once for 1,000 images."""
    few = np.zeros((1000, 28, 28), dtype=np.uint8)
    few[:, 10:14, 10:18] = np.random.default_rng(0).integers(256, size=(1000, 4, 8))
    write(path, idx_bytes(np.tile(few, (count // 1000, 1, 1))))


def test_a_smoke_run_goes_through_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [name.removesuffix(".gz") for name in mnist.FILES]
    write_noise(tmp_path / names[0], 60_000)
    write_labels(tmp_path / names[1], mnist.TRAIN_COUNTS)
    write_noise(tmp_path / names[2], 10_000)
    write_labels(tmp_path / names[3], mnist.TEST_COUNTS)
    folder = tmp_path / "run"
    words = ("--smoke", "--threads", "1", "--data-dir", str(tmp_path), "--out", str(folder), "--layers.units", "30", "20", "5")
    assert harmonium(monkeypatch, "run", "mnist-autoencoder", *words) is None
    results = json.loads((folder / "results.json").read_text())
    assert results["setting"] == "smoke"
    metrics = {name: metric["value"] for name, metric in results["metrics"].items()}
    assert results["metrics"]["test_squared_error"]["published"] == "3.00"
    assert metrics.keys() >= MnistAutoencoder.published.keys()
    x = np.asarray(mnist.load(tmp_path).train_images[:500], dtype=float) / 255
    least = (np.linalg.svd(x - x.mean(0), compute_uv=False)[5:] ** 2).sum() / 500  # the judged images are those learnt from, here
    assert metrics["pca_test_squared_error"] == pytest.approx(least, rel=1e-4)
    assert (
        metrics["logistic_pca_free_codes_test_squared_error"] < metrics["pca_test_squared_error"] < metrics["unrolled_test_squared_error"]
    )
    assert metrics["test_squared_error"] == pytest.approx(metrics["training_squared_error"])
    report = (folder / "report.html").read_text()
    assert report.count("data:image/png;base64,") == 3
    # Two phases lost: they come out the same.
    for phase in ("backpropagation", "free-codes-5"):
        (folder / "checkpoints" / f"{phase}.safetensors").unlink()
    assert harmonium(monkeypatch, "resume", str(folder)) is None
    assert json.loads((folder / "results.json").read_text())["metrics"] == results["metrics"]


def test_settings_and_what_is_no_autoencoder() -> None:
    options = MnistAutoencoder(held_out=10_000)
    assert options.plan()[1].epochs == options.tuning.epochs
    assert MnistAutoencoder(quick=True).setting == "quick"
    with pytest.raises(ValueError, match="two layers or more"):
        MnistAutoencoder(layers=type(options.layers)(units=(5,), epochs=1))


def test_a_random_start_has_the_base_rates_and_no_transposes() -> None:
    images = torch.randint(0, 256, (200, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    net = random_start(images, (30, 20, 3), seed=1)
    first, last = net.encoder[1], net.decoder[-1]
    assert first.weight.std().item() == pytest.approx(4 * np.sqrt(2 / 70), rel=0.1)
    assert net.encoder[-2].weight.std().item() == pytest.approx(np.sqrt(2 / 23), rel=0.3)
    assert abs(torch.corrcoef(torch.stack([first.weight.flatten(), last.weight.T.flatten()]))[0, 1]) < 0.1
    np.testing.assert_allclose(last.bias.sigmoid().detach(), images.float().mean(0) / 255, atol=0.02)
    again = random_start(images, (30, 20, 3), seed=1)
    assert torch.equal(net.reconstruct(images), again.reconstruct(images))


def test_errors_are_sums_over_pixels_and_means_over_images() -> None:
    images = torch.randint(0, 256, (60, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    net = random_start(images, (10, 2), seed=0)
    made, x = net.reconstruct(images).detach().numpy(), images.numpy() / 255
    assert squared_error(net, images) == pytest.approx(((made - x) ** 2).sum(1).mean(), rel=1e-5)
    assert error_of(torch.from_numpy(made), images) == pytest.approx(((made - x) ** 2).sum(1).mean(), rel=1e-5)
    least = (np.linalg.svd(x - x.mean(0), compute_uv=False)[7:] ** 2).sum() / 60
    assert error_of(pca(images, images, 7), images) == pytest.approx(least, rel=1e-4)


class NoFolder:
    """Stands for a run that keeps nothing."""

    precision = "float32"

    def callbacks(self, phase: str) -> list[Any]:
        return []

    def checkpoint(self, phase: str) -> None:
        return None


def test_logistic_pca_with_a_linear_encoder_finds_the_least_cross_entropy() -> None:
    """Against SciPy's minimisation over all weights of the same net, from several starts."""
    images = torch.from_numpy(np.random.default_rng(0).integers(256, size=(30, 6)).astype(np.uint8))
    x = images.numpy() / 255

    def loss(flat: np.ndarray) -> float:
        up, own, down, bias = np.split(flat, [12, 14, 26])
        z = (x @ up.reshape(6, 2) + own) @ down.reshape(2, 6) + bias
        return float((np.logaddexp(0, z) - x * z).sum() / len(x))

    starts = [np.random.default_rng(seed).normal(scale=0.5, size=32) for seed in range(3)]
    least = min(minimize(loss, start, method="BFGS", options={"gtol": 1e-4}).fun for start in starts)
    net = learn_linear_code(NoFolder(), images, 2, Unrolled(600, batch_size=30, learning_rate=0.03), seed=0)  # type: ignore[arg-type]
    found = net.loss(net(images), images).item()
    assert least * (1 - 1e-4) < found < least * (1 + 2e-3)
    assert found < linear_code(images, 2, 0).loss(linear_code(images, 2, 0)(images), images).item()
