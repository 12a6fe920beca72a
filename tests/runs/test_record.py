"""What is recorded is pooled, moved and merged by the program, and nothing is ever lost."""

import dataclasses
import json
import statistics
from pathlib import Path
from typing import Any

import pytest

from harmonium.recipes import RECIPES, MnistDbm, MnistRbm
from harmonium.runs import record, table
from harmonium.runs.options import OF_THE_RUN, settings_of
from tests.recipes.test_command_line import harmonium

SETTINGS = {name: value for name, value in settings_of(MnistRbm()).items() if name not in OF_THE_RUN}


def outcome(seed: int, nats: float = -84.0, **more: Any) -> dict[str, Any]:
    """A run's results.json."""
    told = {"verdict": "doubtful", "trust": f"No: {nats}."}
    metrics = {
        "test_nats_fixed_stochastic": {"published": "-86.34", "unit": "nats", "value": nats, **told},
        "log_z": {"published": None, "unit": "nats", "value": 900.0 + seed},
    }
    results = {"recipe": "mnist-rbm", "paper": "p", "setting": "full", "settings": SETTINGS, "machine": "m", "seed": seed, "seconds": 60.0}
    return {**results, "metrics": metrics, "commit": "a", "defaults_changed": [], "command": "harmonium run mnist-rbm", **more}


def read(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "mnist-rbm.json").read_text())
    return content


def test_seeds_of_the_same_settings_share_a_record_with_their_verdicts(tmp_path: Path) -> None:
    for seed, nats in ((1, -84.0), (2, -85.0)):
        record.append(outcome(seed, nats, commit=f"a{seed}, b"), tmp_path)
    (found,) = read(tmp_path)["records"]
    metric = found["metrics"]["test_nats_fixed_stochastic"]
    assert (metric["values"], metric["mean"]) == ([-84.0, -85.0], -84.5)
    assert metric["sd"] == pytest.approx(0.5**0.5)
    assert metric["verdicts"] == ["doubtful", "doubtful"]
    assert metric["trust"] == ["No: -84.0.", "No: -85.0."]
    assert "verdicts" not in found["metrics"]["log_z"]
    assert found["commits"] == ["a1, b", "a2, b"]
    assert (found["settings"], found["defaults_changed"]) == (SETTINGS, [[], []])
    with pytest.raises(ValueError, match="already has seed 2"):
        record.append(outcome(2), tmp_path)


REDUCED = {"setting": "full, bfloat16", "settings": {**SETTINGS, "precision": "bfloat16"}}


@pytest.mark.parametrize("other", [{"settings": {**SETTINGS, "hidden": 400}}, {"machine": "n"}, {"setting": "quick"}, REDUCED])
def test_other_settings_never_pool(other: dict[str, Any], tmp_path: Path) -> None:
    record.append(outcome(1), tmp_path)
    record.append(outcome(2, **other), tmp_path)
    assert [each["seeds"] for each in read(tmp_path)["records"]] == [[1], [2]]


def test_a_reduced_precision_is_a_choice_and_no_earlier_default(tmp_path: Path) -> None:
    for each in (outcome(1), outcome(1, **REDUCED)):
        record.append(each, tmp_path / "there")
    assert record.merge(tmp_path / "there", RECIPES, tmp_path / "here") == 2
    assert [row["setting"] for row in table.rows(RECIPES, tmp_path / "here")] == ["full", "full, bfloat16"]
    record.append(outcome(1, -85.0, **REDUCED), tmp_path / "here", supersede="to see that the other stays")
    assert read(tmp_path / "here")["records"][0]["metrics"]["test_nats_fixed_stochastic"]["values"] == [-84.0]


def test_a_metric_that_one_seed_lacks_keeps_the_others_in_their_places(tmp_path: Path) -> None:
    fewer = outcome(2)
    del fewer["metrics"]["log_z"]
    for each in (outcome(1), fewer, outcome(3)):
        record.append(each, tmp_path)
    (found,) = read(tmp_path)["records"]
    assert found["metrics"]["log_z"]["values"] == [901.0, None, 903.0]
    assert found["metrics"]["log_z"]["mean"] == 902.0
    assert found["metrics"]["log_z"]["sd"] == pytest.approx(statistics.stdev([901.0, 903.0]))


def test_a_superseded_seed_is_moved_with_the_reason_and_the_rest_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "present_commit", lambda: "unknown")
    for seed in (1, 2, 3):
        record.append(outcome(seed, -84.0 - seed), tmp_path / "results")
    before = read(tmp_path / "results")["records"][0]
    monkeypatch.chdir(tmp_path)
    words = ("record", "supersede", "mnist-rbm", "--setting", "full", "--seed", "2", "--reason", "its chains were too few")
    assert harmonium(monkeypatch, *words) is None
    content = read(tmp_path / "results")
    (kept,), (moved,) = content["records"], content["superseded"]
    assert (kept["seeds"], kept["metrics"]["test_nats_fixed_stochastic"]["values"]) == ([1, 3], [-85.0, -87.0])
    assert kept["metrics"]["test_nats_fixed_stochastic"]["mean"] == -86.0
    assert moved["superseded"]["reason"] == "its chains were too few"
    del moved["superseded"]
    assert moved == record.part(before, [1])
    assert moved["metrics"]["test_nats_fixed_stochastic"]["trust"] == ["No: -86.0."]
    assert "holds no such record" in str(harmonium(monkeypatch, *words))
    assert [row["ours"] for row in table.rows(RECIPES, Path("results"))] == ["-86.00 ± 1.41"]


def test_a_likelihood_without_a_verdict_is_told_from_a_figure_that_needs_none(tmp_path: Path) -> None:
    metrics = {name: {"published": None, "unit": "nats", "value": -1.0} for name in ("test_nats_fixed_stochastic", "log_z")}
    record.append(outcome(1, metrics=metrics), tmp_path)
    assert [row["verdict"] for row in table.rows(RECIPES, tmp_path, recipe="mnist-rbm")] == ["not recorded", "–"]


def test_a_new_outcome_may_supersede_the_old_one_of_its_setting_and_seed(tmp_path: Path) -> None:
    old = {**outcome(1, -83.0)}
    record.append(old, tmp_path)
    record.append(outcome(2), tmp_path)
    record.append(outcome(1, -84.5, settings={**SETTINGS, "new": 1}), tmp_path, supersede="the lower of the estimates counts now")
    content = read(tmp_path)
    assert [(each["seeds"], each["metrics"]["test_nats_fixed_stochastic"]["mean"]) for each in content["records"]] == [
        ([2], -84.0),
        ([1], -84.5),
    ]
    assert [each["metrics"]["test_nats_fixed_stochastic"]["values"] for each in content["superseded"]] == [[-83.0]]
    assert len(content["superseded"][0]["superseded"]["date"]) == len("2026-01-01")


def test_which_of_two_records_of_a_seed_is_superseded_must_be_said(tmp_path: Path) -> None:
    record.append(outcome(1, commit="abc"), tmp_path)
    record.append(outcome(1, commit="def", machine="n"), tmp_path)
    with pytest.raises(ValueError, match="more than once"):
        record.supersede("mnist-rbm", "full", "old", folder=tmp_path)
    assert len(read(tmp_path)["records"]) == 2
    assert record.supersede("mnist-rbm", "full", "old", commit="ab", folder=tmp_path) == 1
    assert [each["commits"] for each in read(tmp_path)["records"]] == [["def"]]
    with pytest.raises(ValueError, match="for a reason"):
        record.supersede("mnist-rbm", "full", " ", folder=tmp_path)
    with pytest.raises(ValueError, match="present folder"):
        record.supersede("mnist-dbn", "full", "old", folder=tmp_path)


def test_records_made_elsewhere_are_merged_once_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = tmp_path / "results", tmp_path / "there"
    record.append(outcome(1), here)
    for each in (outcome(1), outcome(2, -85.0), outcome(3, machine="n")):
        record.append(each, there)
    monkeypatch.chdir(tmp_path)
    assert record.merge(there, RECIPES, here) == 2
    assert [each["seeds"] for each in read(here)["records"]] == [[1, 2], [3]]
    assert record.merge(there / "mnist-rbm.json", RECIPES, here) == 0
    record.append(outcome(2, -90.0), tmp_path / "other")
    with pytest.raises(ValueError, match="already has seed 2"):
        record.merge(tmp_path / "other", RECIPES, here)
    record.append(outcome(7, settings={**SETTINGS, "hidden": 400}), tmp_path / "changed")
    assert "settings are not the recipe's: hidden" in str(harmonium(monkeypatch, "record", "merge", "changed"))
    assert "holds no records" in str(harmonium(monkeypatch, "record", "merge", "nowhere"))
    (tmp_path / "spoilt.json").write_text('{"recipe": "mnist-rbm"}')
    assert "is no file of records" in str(harmonium(monkeypatch, "record", "merge", "spoilt.json"))
    assert [each["seeds"] for each in read(here)["records"]] == [[1, 2], [3]]


def test_what_was_erased_returns_to_the_superseded_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record of earlier code, which says no settings, of a seed that is recorded anew."""
    monkeypatch.chdir(tmp_path)
    record.append(outcome(1, -84.5), tmp_path / "results")
    record.append(outcome(1, -83.0), tmp_path / "old")
    content = read(tmp_path / "old")
    for name in ("settings", "defaults_changed"):
        del content["records"][0][name]
    (tmp_path / "old" / "mnist-rbm.json").write_text(json.dumps(content))
    assert "does not say its settings" in str(harmonium(monkeypatch, "record", "merge", "old"))
    assert harmonium(monkeypatch, "record", "merge", "old", "--superseded", "erased by hand", "--commit", "HEAD") is None
    assert harmonium(monkeypatch, "record", "merge", "old", "--superseded", "erased by hand", "--commit", "HEAD") is None
    content = read(tmp_path / "results")
    assert [each["metrics"]["test_nats_fixed_stochastic"]["mean"] for each in content["records"]] == [-84.5]
    (moved,) = content["superseded"]
    assert moved["metrics"]["test_nats_fixed_stochastic"]["values"] == [-83.0]
    assert len(moved["superseded"]["commit"]) == 40
    assert "no commit of this checkout" in str(harmonium(monkeypatch, "record", "merge", "old", "--superseded", "x", "--commit", "nil"))


def test_what_was_published_is_put_right_without_touching_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MnistRbm.published, "test_nats_fixed_stochastic", "-86.34, put right")
    monkeypatch.chdir(tmp_path)
    record.append(outcome(1), Path("results"))
    before = read(Path("results"))
    assert harmonium(monkeypatch, "record", "refresh") is None
    after = read(Path("results"))
    assert after["records"][0]["metrics"]["test_nats_fixed_stochastic"].pop("published") == "-86.34, put right"
    del before["records"][0]["metrics"]["test_nats_fixed_stochastic"]["published"]
    assert after["paper"] == MnistRbm.paper
    assert {**after, "paper": "p"} == before


def test_tables_show_headlines_verdicts_and_earlier_defaults(tmp_path: Path) -> None:
    record.append(outcome(1), tmp_path)
    best = outcome(2)
    best["metrics"]["test_nats_fixed_stochastic"]["verdict"] = "exact"
    record.append(best, tmp_path)
    record.append(outcome(1, settings={**SETTINGS, "hidden": 400}), tmp_path)
    now, then = table.rows(RECIPES, tmp_path)
    assert (now["setting"], now["metric"], now["verdict"], now["seeds"]) == ("full", "test nats fixed stochastic", "doubtful", "2")
    assert then["setting"] == "full (earlier defaults)"
    assert [row["metric"] for row in table.rows(RECIPES, tmp_path, recipe="mnist-rbm")] == ["test nats fixed stochastic", "log z"] * 2
    assert "*full, test nats fixed stochastic, seed 1*: No: -84.0." in table.trust(tmp_path, "mnist-rbm")
    record.supersede("mnist-rbm", "full", "of old", seed=2, folder=tmp_path)
    (gone,) = table.superseded(tmp_path, "mnist-rbm", MnistRbm.headline_metrics)
    assert gone["figures"] == "test nats fixed stochastic -84.00"
    assert gone["superseded"].endswith(": of old")
    page = table.page(RECIPES, tmp_path, "mnist-rbm")
    assert all(words in page for words in ("| log z |", "seed 1*: No: -84.0.", "Superseded, and kept in the file:", ": of old |"))


@pytest.mark.parametrize(("added", "shown"), [(None, False), (0.4, False), (1.5, True)])
def test_a_deep_machine_whose_second_layer_does_nothing_is_in_no_table(added: float | None, shown: bool, tmp_path: Path) -> None:
    metrics = {"test_bound_nats": {"published": None, "unit": "nats", "value": -83.6}}
    if added is not None:
        metrics["ablation_nats"] = {"published": None, "unit": "nats", "value": added}
    settings = {name: value for name, value in settings_of(MnistDbm()).items() if name not in OF_THE_RUN}
    record.append(outcome(1, recipe="mnist-dbm", settings=settings, metrics=metrics), tmp_path)
    for rows in (table.rows(RECIPES, tmp_path), table.rows(RECIPES, tmp_path, recipe="mnist-dbm")):
        assert [row["ours"] for row in rows] == (["-83.60", "1.50"] if shown else [])


@pytest.mark.parametrize("recipe", RECIPES.values())
def test_every_recipe_has_few_headlines_and_records_its_choices(recipe: Any) -> None:
    assert 0 < len(recipe.headline_metrics) <= 10
    assert set(recipe.choices) <= {each.name for each in dataclasses.fields(recipe)}


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[2] / "results").glob("*.json")), ids=lambda path: path.stem)
def test_the_files_of_the_repository_are_whole(path: Path) -> None:
    content = json.loads(path.read_text())
    for each in (*content["records"], *content.get("superseded", [])):
        assert record.part(each, range(len(each["seeds"]))) == each  # means and deviations are those of the values
        assert {"reason", "commit", "date"} == set(each.get("superseded", {"reason", "commit", "date"}))
