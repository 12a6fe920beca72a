"""The precision of a run: every training has it, config.json and the record say so, and float32 leaves all settings as they were."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

import harmonium as hm
from harmonium.files import read_tensors
from harmonium.recipes import RECIPES
from harmonium.runs.options import check_recordable, settings_of
from tests.recipes.test_command_line import harmonium

TRAININGS = {"fit", "greedy", "wake_sleep", "fine_tune"}
FILES = sorted((Path(hm.__file__).parent / "recipes").rglob("*.py"))


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_only_another_precision_is_a_setting(recipe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    as_ever = settings_of(recipe())
    assert "precision" not in as_ever
    reduced = recipe(precision="bfloat16")
    assert settings_of(reduced) == {**as_ever, "precision": "bfloat16"}
    check_recordable(reduced)
    for able, expected in ((False, as_ever), (True, settings_of(reduced))):
        monkeypatch.setattr("harmonium.couplings.products.multiplies_bfloat16", lambda device, able=able: able)
        assert settings_of(recipe(precision="auto")) == expected


def test_a_run_in_bfloat16_says_so_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("run", "digits", "--smoke", "--threads", "1", "--layers.units", "20", "10", "--labelled.units", "20")
    assert harmonium(monkeypatch, *words, "--precision", "bfloat16") is None
    folder = tmp_path / "runs" / "digits"
    assert json.loads((folder / "config.json").read_text())["settings"]["precision"] == "bfloat16"
    results = json.loads((folder / "results.json").read_text())
    assert (results["setting"], results["settings"]["precision"]) == ("smoke, bfloat16", "bfloat16")
    checkpoints = sorted((folder / "checkpoints").glob("*.safetensors"))
    assert len(checkpoints) == 5
    assert {read_tensors(path)[1]["settings"]["precision"] for path in checkpoints} == {"bfloat16"}
    for path in (folder / "results.json", folder / "checkpoints" / "backpropagation.safetensors"):
        path.unlink()
    assert "other settings (precision)" in str(harmonium(monkeypatch, *words))
    assert harmonium(monkeypatch, "resume", str(folder)) is None
    assert json.loads((folder / "results.json").read_text())["metrics"] == results["metrics"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_training_of_a_recipe_is_given_it(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = node.args[0] if isinstance(node.func, ast.Name) and node.func.id == "partial" else node.func
            if isinstance(called, ast.Name) and called.id in TRAININGS:
                assert "precision" in {keyword.arg for keyword in node.keywords}, node.lineno
