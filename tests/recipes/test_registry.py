"""What is known of the recipes before any is imported is what they say themselves."""

import dataclasses
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import harmonium
from harmonium import recipes
from harmonium.recipes import RECIPES, REGISTRY, Entry, find
from harmonium.recipes.listing import chosen
from harmonium.runs.contract import Recipe

PACKAGE = Path(harmonium.__file__).parent
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("entry", REGISTRY, ids=lambda entry: entry.name)
def test_an_entry_is_its_recipe_s(entry: Entry) -> None:
    recipe = find(entry.name)
    assert recipe is RECIPES[entry.name] is getattr(recipes, entry.kind)
    assert recipe.name == entry.name
    assert set(entry.headline) <= set(recipe.headline_metrics)
    assert entry.published.rstrip("*") in recipe.published.get(entry.headline[0], "")
    assert bool(entry.published) == (entry.headline[0] in recipe.published)
    assert len(entry.sentence) <= 60
    record = chosen(entry, ROOT / "results")
    assert record is None or recipe.shown(record)


@pytest.mark.parametrize(("ablation", "listed"), [(1.2, True), (0.9, False), (-100.8, False), (None, False)])
def test_a_machine_whose_upper_layer_adds_nothing_is_in_no_list(ablation: float | None, listed: bool, tmp_path: Path) -> None:
    entry = next(entry for entry in REGISTRY if entry.name == "mnist-dbm")
    metrics = {name: {"values": [1.0]} for name in entry.headline if name != "ablation_nats"}
    record = {"setting": "full", "metrics": metrics | ({} if ablation is None else {"ablation_nats": {"values": [2.0, ablation]}})}
    (tmp_path / "mnist-dbm.json").write_text(json.dumps({"records": [record]}))
    assert (chosen(entry, tmp_path) is not None) == find("mnist-dbm").shown(record) == listed


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_inherits_from_the_contract_alone(name: str) -> None:
    recipe = find(name)
    assert recipe.__bases__ == (Recipe,)
    assert dataclasses.is_dataclass(recipe)
    fields = {field.name for field in dataclasses.fields(recipe)}
    assert not fields & recipe.former.keys()


def test_every_folder_with_a_recipe_has_its_entry() -> None:
    assert {f"harmonium.recipes.{path.parent.name}.recipe" for path in PACKAGE.glob("recipes/*/recipe.py")} == {
        entry.module for entry in REGISTRY
    }


def test_what_is_no_recipe_is_said() -> None:
    with pytest.raises(ValueError, match="'mnist' is no recipe of this version"):
        find("mnist")
    with pytest.raises(AttributeError, match="has no attribute 'Mnist'"):
        recipes.Mnist  # noqa: B018


def test_the_list_imports_no_recipe_and_the_contract_no_torch() -> None:
    code = (
        "import sys, harmonium.recipes.listing, harmonium.runs.record, harmonium.runs.table; from harmonium.recipes import RECIPES;"
        "assert len(RECIPES) > 10;"
        "print(*[name for name in sys.modules if name in ('torch', 'numpy') or name.endswith('.recipe')], end='')"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == ""


def test_files_are_short_and_told_apart_by_their_names() -> None:
    """A name that two files share says less than a path; a folder of a recipe has a recipe.py and a pictures.py."""
    files = [path for path in PACKAGE.rglob("*.py") if path.parent.parent.name in ("recipes", "harmonium") and path.name != "__init__.py"]
    here = [path for path in files if {"recipes", "runs"} & set(path.parts)]
    names = Counter(path.name for path in PACKAGE.rglob("*.py"))
    assert [path.name for path in here if names[path.name] > 1 and path.name not in ("recipe.py", "pictures.py")] == []
    assert [path.name for path in here if len(path.read_text().splitlines()) > 300] == []
