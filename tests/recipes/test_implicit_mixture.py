"""The implicit-mixture recipe: its baselines and its figures against plain arithmetic, and every step on drawn images."""

import itertools
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from harmonium import cli
from harmonium.data import Dataset, mnist
from harmonium.recipes.implicit_mixture import recipe
from harmonium.recipes.implicit_mixture.clusterings import bernoullis, k_means, metrics, purity_percent, table
from harmonium.recipes.implicit_mixture.mixture_of_bernoullis import PSEUDO, MixtureOfBernoullis, fit_bernoullis, maximised
from harmonium.recipes.implicit_mixture.recipe import ImplicitMixture
from harmonium.runs.folder import Run

pytestmark = pytest.mark.filterwarnings("ignore::harmonium.Advice")


def blocks(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images of ten classes, each with a block of ink of its own under noise: (count, 784) uint8, and their classes."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 10, (count,), generator=generator)
    ink = torch.nn.functional.one_hot(labels, 10).repeat_interleave(78, dim=1)
    images = torch.nn.functional.pad(ink, (0, 4)) * 200 + torch.randint(0, 50, (count, 784), generator=generator)
    return images.byte(), labels


@pytest.fixture
def digits(monkeypatch: pytest.MonkeyPatch) -> None:
    data = Dataset("mnist", *blocks(700, 0), *blocks(600, 1), image_shape=(28, 28), classes=10)
    monkeypatch.setattr(mnist, "load", lambda data_dir=None: data)


def test_a_mixture_of_bernoullis_is_normalised_and_its_parts_are_products() -> None:
    generator = torch.Generator().manual_seed(0)
    rates, shares = torch.rand(3, 5, generator=generator).double(), torch.tensor([0.2, 0.5, 0.3], dtype=torch.double)
    states = torch.tensor(list(itertools.product((0.0, 1.0), repeat=5))).double()
    joint = MixtureOfBernoullis(shares.log(), rates).joint(states)
    assert joint.exp().sum().item() == pytest.approx(1, abs=1e-12)
    by_hand = [[float(s * np.prod(np.where(x, p, 1 - p))) for s, p in zip(shares, rates.numpy(), strict=True)] for x in states.numpy() > 0]
    np.testing.assert_allclose(joint.exp(), by_hand, rtol=1e-12)


def test_its_likelihood_never_falls_and_ends_at_a_fixed_point() -> None:
    generator = torch.Generator().manual_seed(1)
    images = (torch.rand(400, 30, generator=generator) < torch.rand(4, 30, generator=generator).repeat(100, 1)).double()
    mixture, reached = fit_bernoullis(images, 4, starts=3, sweeps=100, seed=0)
    assert 3 < len(reached) < 100
    assert min(np.diff(reached)) > 0
    again = maximised(images, mixture.joint(images).softmax(1))
    torch.testing.assert_close(again.rates, mixture.rates, atol=2e-3, rtol=0)
    responsibilities = mixture.joint(images).softmax(1).numpy()
    wanted = (responsibilities.T @ images.numpy() + PSEUDO) / (responsibilities.sum(0)[:, None] + 2 * PSEUDO)
    np.testing.assert_allclose(again.rates, wanted, rtol=1e-10)
    assert again.log_shares.exp().sum().item() == pytest.approx(1)
    every = [fit_bernoullis(images, 4, starts=1, sweeps=100, seed=start)[1][-1] for start in range(3)]
    assert reached[-1] == max(every)


def test_more_pixels_than_the_rates_can_tell_stay_finite() -> None:
    mixture, reached = fit_bernoullis(torch.zeros(50, 4), 3, starts=1, sweeps=20, seed=0)
    assert math.isfinite(reached[-1])
    assert bool((mixture.rates > 0).all())


def test_baselines_find_clusters_that_are_there() -> None:
    (images, _), (judged, truth) = blocks(400, 2), blocks(300, 3)
    grey, seen = images.float() / 255, judged.float() / 255
    for find in (k_means, bernoullis):
        found = find(grey, seen, 10, starts=5, seed=0)
        assert purity_percent(table(found, truth, 10)) == pytest.approx(100, abs=15)  # two starts may share a class
    reference = KMeans(10, n_init=5, random_state=0).fit(grey.numpy()).predict(seen.numpy())
    assert torch.equal(k_means(grey, seen, 10, starts=5, seed=0), torch.from_numpy(reference).long())


def test_purity_and_mutual_information_are_those_counted_one_by_one() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 10, 500)
    clusters = np.where(generator.random(500) < 0.6, labels % 6, generator.integers(0, 6, 500))
    truth = torch.from_numpy(labels)
    rows = metrics({"mixture": torch.from_numpy(clusters), "k_means": truth}, truth, 12, "test")
    found = {name: value for name, value, _ in rows}
    right = sum(max(int(((clusters == k) & (labels == c)).sum()) for c in range(10)) for k in range(6))
    assert found["test_purity_percent"] == pytest.approx(100 * right / 500)
    joint = np.array([[((clusters == k) & (labels == c)).mean() for c in range(10)] for k in range(6)])
    entropies = [-(p[p > 0] * np.log(p[p > 0])).sum() for p in (joint, joint.sum(0), joint.sum(1))]
    assert found["test_nmi"] == pytest.approx(2 * (entropies[1] + entropies[2] - entropies[0]) / (entropies[1] + entropies[2]))
    assert found["test_purity_percent_k_means"] == pytest.approx(100)
    assert found["test_nmi_k_means"] == pytest.approx(1)
    assert (found["empty_clusters"], found["empty_clusters_k_means"]) == (6, 2)


@pytest.mark.usefixtures("digits")
def test_a_smoke_run_goes_through_every_step_and_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["harmonium", "run", "implicit-mixture", "--smoke", "--threads", "1", "--out", str(tmp_path / "run")])
    cli.main()
    first = json.loads((tmp_path / "run" / "results.json").read_text())
    assert first["setting"] == "smoke"
    for suffix in ("", "_k_means", "_bernoullis"):
        assert 10 <= first["metrics"][f"test_purity_percent{suffix}"]["value"] <= 100
        assert 0 <= first["metrics"][f"test_nmi{suffix}"]["value"] <= 1
    page = (tmp_path / "run" / "report.html").read_text()
    assert all(words in page for words in ("Clusters and classes", "Components", "features"))

    def never(*arguments: object, **named: object) -> None:
        raise AssertionError("what is finished was found again")

    (tmp_path / "run" / "results.json").unlink()
    for name in ("k_means", "bernoullis"):
        monkeypatch.setattr(recipe, name, never)
    monkeypatch.setattr(ImplicitMixture, "report", lambda self, run: None)  # drawn above, and not looked at below
    cli.main()
    assert json.loads((tmp_path / "run" / "results.json").read_text())["metrics"] == first["metrics"]


@pytest.mark.usefixtures("digits")
def test_what_is_judged_on_and_the_labels_have_no_part_in_learning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learnt = []
    for number, changed in enumerate((False, True)):
        data = mnist.load()
        if changed:
            data = Dataset("mnist", data.train_images, 9 - data.train_labels, *blocks(600, 7), image_shape=(28, 28), classes=10)
        monkeypatch.setattr(mnist, "load", lambda data_dir=None, data=data: data)
        options = ImplicitMixture(smoke=True, threads=1, out=tmp_path / str(number))
        run = Run.begin("implicit-mixture", options)
        options.run(run)
        learnt.append(options.learnt(run).coupling.weight)
    assert torch.equal(*learnt)


def test_options_are_checked_and_quick_learns_from_fewer(digits: None) -> None:
    with pytest.raises(ValueError, match="at least one component, hidden unit, update and start, found components=0"):
        ImplicitMixture(components=0)
    assert len(ImplicitMixture(held_out=100).cases().test_images) == 100
    assert len(ImplicitMixture(quick=True).cases().images) == 700
    assert ImplicitMixture(quick=True).plan().hidden == 50
