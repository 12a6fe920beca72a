"""The few-labels recipe: its subsets and its choice on cases made by hand, and every step on files without digits in them."""

import json
import math
import sys
from pathlib import Path

import pytest
import torch

from harmonium import cli
from harmonium.recipes.few_labels.labelled_subsets import Found, least, some_of_each
from harmonium.recipes.few_labels.recipe import metrics


def test_subsets_have_as_many_of_each_class_and_grow_by_adding() -> None:
    labels = torch.arange(10).repeat_interleave(torch.arange(30, 40))
    few, more = some_of_each(labels, 25, 3), some_of_each(labels, 100, 3)
    assert sorted(torch.bincount(labels[few]).tolist()) == [2] * 5 + [3] * 5
    assert torch.bincount(labels[more]).tolist() == [10] * 10
    assert set(few.tolist()) < set(more.tolist())
    assert len(set(more.tolist())) == 100
    assert set(some_of_each(labels, 100, 4).tolist()) != set(more.tolist())
    for count in (345, 1000):  # all of them, though the classes differ in size
        assert sorted(some_of_each(labels, count, 3).tolist()) == list(range(len(labels)))
    assert torch.bincount(labels[some_of_each(labels, 309, 3)]).tolist() == [30] + [31] * 9


def test_the_choice_is_of_the_mean_over_the_subsets() -> None:
    """Two pairs of settings, two subsets each: the lowest single error is of the first pair, the lowest mean of the second."""
    errors = [[9.0, 9.0, 8.0, 8.0], [1.0, 9.0, 4.0, 5.0], [5.0, math.nan, 6.0, 6.0]]
    history = [{f"validation_error_percent.{place}": error for place, error in enumerate(row)} for row in errors]
    assert least(history, 4, 2) == (2, 2, 4.5)


def test_the_gain_is_paired() -> None:
    pretrained = Found(100, "pretrained", 0.1, 0.0, 3, 5.0, [10.0, 20.0], [0.0, 0.0])
    random = Found(100, "random", 0.1, 0.0, 3, 5.0, [13.0, 21.0], [0.0, 0.0])
    found = {name: value for name, value, _ in metrics([pretrained, random], "test")}
    assert found == {
        "test_error_percent_pretrained_100": 15.0,
        "test_error_percent_random_100": 17.0,
        "gain_100": 2.0,
        "gain_100_standard_error": pytest.approx(1.0),  # gains of 3 and 1: sd √2, of two subsets
    }


def test_a_smoke_run_goes_through_every_step(grey_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["run", "few-labels", "--smoke", "--threads", "1", "--data-dir", str(grey_mnist), "--out", str(tmp_path / "run")]
    monkeypatch.setattr(sys, "argv", ["harmonium", *words])
    cli.main()
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["setting"] == "smoke"
    starts = [(each["count"], each["start"]) for each in results["measured"]]
    assert starts == [(count, start) for count in (20, 100) for start in ("pretrained", "random")]
    assert all(len(each["errors"]) == 2 and each["rate"] in (0.02, 0.1) and each["epochs"] in (1, 2) for each in results["measured"])
    assert results["metrics"]["test_error_percent_random_100"]["published"] == "24.0"
    assert {"gain_20", "gain_100_standard_error"} < set(results["metrics"])
    assert (tmp_path / "run" / "report.html").stat().st_size > 50_000
