"""The patches recipe: its patches, its machines and its judge against plain arithmetic and SciPy, and every step on drawn photographs."""

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

import harmonium as hm
from harmonium import cli
from harmonium.data import natural_images
from harmonium.recipes.patches.densities import MIXTURES, ORDER, Judged, Mixtures, judge_gaussian, judge_mixtures, metrics, of_filters, read
from harmonium.recipes.patches.machines import MACHINES, Features, hidden_units, machine
from harmonium.recipes.patches.recipe import Patches
from harmonium.recipes.patches.white_patches import Cut, White, cut
from harmonium.runs.folder import Run


def photographs(count: int = 13) -> list[torch.Tensor]:
    """Smooth noise, each of its own contrast."""
    generator = torch.Generator().manual_seed(0)
    found = []
    for number in range(count):
        rough = torch.randn(1, 1, 70, 70, generator=generator)
        smooth = torch.nn.functional.avg_pool2d(rough, 5, 1)[0, 0]
        found.append((128 + 60 * (1 + 0.1 * number) * smooth).clamp(0, 255).to(torch.uint8))
    return found


def test_patches_are_white_and_those_judged_on_are_of_other_places() -> None:
    quiet = torch.full((20, 40), 10, dtype=torch.uint8)
    how = Cut(side=4, components=15, cases=2000, judged=50, apart=True)
    white = cut([quiet], how, seed=0)
    assert [tuple(each.shape) for each in white[:2]] == [(2000, 15), (50, 15)]
    torch.testing.assert_close(torch.cov(white.learnt_from.double().T, correction=0), torch.eye(15).double(), atol=1e-4, rtol=0)
    # Of a flat photograph only the uniform noise is left, of variance 1/12 in each direction (five standard errors).
    assert white.whitening.scale.square().mean().item() == pytest.approx(1 / 12, rel=5 * math.sqrt(0.8 / (2000 * 15)))

    loud = quiet.clone()
    loud[:, 30:] = torch.randint(0, 255, (20, 10), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    assert cut([loud], how, seed=0).judged.std() > 100  # the right quarter alone
    assert torch.equal(cut([loud], how, seed=0).learnt_from, white.learnt_from)  # and it has no part in the whitening


def test_published_patches_are_whitened_together() -> None:
    white = cut(photographs(3), Cut(side=4, components=15, cases=300, judged=200, apart=False), seed=0)
    both = torch.cat(white[:2]).double()
    torch.testing.assert_close(torch.cov(both.T, correction=0), torch.eye(15).double(), atol=1e-4, rtol=0)
    assert not torch.equal(white.learnt_from[:200], white.judged)


@pytest.mark.parametrize("name", MACHINES)
def test_machines_begin_with_long_weights_and_units_that_are_seldom_on(name: str) -> None:
    rbm = machine(name, 40, 160, Features(learning_rate=0.1, norm=4.0, bias=-6.0), seed=0)
    weights = rbm.coupling.weight.detach().numpy()
    norm = 4 if name == "gaussian_binary" else 0.95 / 2  # of rectified units the singular values stay below 1
    assert np.square(weights).sum(0).mean() == pytest.approx(norm**2, rel=1e-4)
    np.testing.assert_allclose(np.linalg.svd(weights, compute_uv=False), 2 * norm, rtol=1e-4)
    rbm.check_normalisable()
    assert bool((rbm.hidden.bias == -6).all())
    assert type(rbm.hidden) is type(hidden_units(name, 1))
    assert rbm.visible.log_variance.shape == (1,)
    assert rbm.visible.log_variance.requires_grad


def test_mixtures_give_the_densities_that_scipy_gives(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    shown, held = (torch.randn(count, 8, generator=generator) * torch.rand(count, 1, generator=generator).exp() for count in (400, 60))
    _, whitening = hm.data.whiten(torch.randn(100, 9, generator=generator), kind="pca", components=8)
    run = Run.begin("patches", Patches(out=tmp_path / "run"))
    judge_gaussian(run, White(shown, held, whitening), "8x8")
    judge_mixtures(run, White(shown, held, whitening), Mixtures(2, 2, 2, 1, iterations=3), "8x8", seed=0)

    gaussian = multivariate_normal(shown.double().mean(0).numpy(), np.diag(shown.double().var(0, correction=0).numpy()))
    np.testing.assert_allclose(read(run, "gaussian", "8x8").log_p.numpy(), gaussian.logpdf(held.double().numpy()), rtol=1e-5)

    mixture = hm.MixtureOfFactorAnalysers(8, 2, 2)
    mixture.fit(shown.double(), iterations=3, seed=0)
    log_mixing, mean, loadings, variance = (each.detach().numpy() for each in mixture.analysers())
    terms = [
        log_mixing[k] + multivariate_normal(mean[k], loadings[k] @ loadings[k].T + np.diag(variance[k])).logpdf(held.double().numpy())
        for k in range(2)
    ]
    np.testing.assert_allclose(read(run, "mfa", "8x8").log_p.numpy(), logsumexp(terms, axis=0), rtol=1e-8)
    assert read(run, "mfa", "8x8").filters.shape == (9, 4)


def test_differences_are_taken_patch_by_patch() -> None:
    log_p = {"mfa": torch.tensor([1.0, 2.0, 6.0]), "rectified": torch.tensor([0.0, 2.0, 1.0])}
    found = {name: Judged(each.double(), torch.zeros(4, 0), {"figures": [], "verdict": None}) for name, each in log_p.items()}
    for where, ending in (("8x8", ""), ("14x14", "_14x14")):
        rows = {name: value for name, value, _ in metrics(found, where, "test")}
        assert rows[f"test_nats_rectified{ending}"] == 1
        assert rows[f"mfa_less_rectified{ending}"] == 2
        assert rows[f"mfa_less_rectified{ending}_standard_error"] == pytest.approx(math.sqrt(7 / 3))


def test_edges_and_twins_are_counted() -> None:
    row, column = np.mgrid[:8, :8]
    edge = np.exp(-((row - 3) ** 2 / 6 + (column - 4) ** 2 / 2)) * np.sin(1.5 * (column - 4) + 0.4)
    noise = np.random.default_rng(0).normal(size=(8, 8))
    filters = torch.tensor(np.stack([edge.ravel(), 3 * edge.ravel(), -edge.ravel(), noise.ravel()], axis=1))
    found = {name: value for name, value, _ in of_filters(filters, "rectified", "8x8")}
    assert found == {"percent_localised_rectified": 75, "percent_edges_rectified": 75, "percent_identical_rectified": 50}


def test_tuning_does_not_see_what_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(natural_images, "load", lambda data_dir=None: photographs())
    monkeypatch.setattr("harmonium.recipes.patches.recipe.cut", lambda images, how, seed: seen.append((tuple(images[0].shape), seed)))
    for tuning in (False, True):
        Patches(tuning=tuning).patches("8x8")
    (shape, seed), (other_shape, other_seed) = seen
    assert (shape, other_shape) == ((66, 66), (66, 49))
    assert seed != other_seed


def test_a_smoke_run_goes_through_every_step_and_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(natural_images, "load", lambda data_dir=None: photographs())
    words = ["run", "patches", "--smoke", "--threads", "1", "--out", str(tmp_path / "run")]
    monkeypatch.setattr(sys, "argv", ["harmonium", *words])
    cli.main()
    path = tmp_path / "run" / "results.json"
    results = json.loads(path.read_text())["metrics"]
    for ending in ("", "_14x14"):
        assert all(math.isfinite(results[f"test_nats_{name}{ending}"]["value"]) for name in ORDER)
        assert all("verdict" in results[f"test_nats_{name}{ending}"] for name in MACHINES)
        assert all("verdict" not in results[f"test_nats_{name}{ending}"] for name in MIXTURES)
    whole = results["test_nats_gaussian_binary_14x14_of_196_numbers"]["value"]
    assert results["test_nats_gaussian_binary_14x14"]["value"] - whole == pytest.approx(1.4189385, abs=1e-6)  # the entropy of N(0, 1)
    assert (tmp_path / "run" / "report.html").stat().st_size > 20_000
    path.unlink()
    monkeypatch.setattr(Patches, "report", lambda self, run: None)  # drawn above, and not looked at below
    cli.main()
    assert json.loads(path.read_text())["metrics"] == results


def test_the_machine_of_the_published_figure_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One Gaussian and the binary units, of the larger patches; the figures are those of a run of all models."""
    monkeypatch.setattr(natural_images, "load", lambda data_dir=None: photographs())
    found = {}
    for name, alone in (("all", False), ("one", True)):
        options = Patches(smoke=True, binary_alone=alone, threads=1, out=tmp_path / name)
        found[alone] = options.run(Run.begin("patches", options))
    assert found[True]["setting"] == "smoke, binary units of 14x14 alone"
    of_one, of_all = found[True]["metrics"], found[False]["metrics"]
    assert {name for name in of_one if name.startswith("test_nats_") and "standard_error" not in name} == {
        "test_nats_gaussian_14x14",
        "test_nats_gaussian_binary_14x14",
        "test_nats_gaussian_binary_14x14_of_196_numbers",
    }
    assert all(of_all[name] == value for name, value in of_one.items())
    assert "RBM, binary units" in (tmp_path / "one" / "report.html").read_text()
