"""The README is itself a test: its table is made from the recorded results, and its Python runs."""

import re
from pathlib import Path

import pytest

import harmonium as hm
from harmonium.recipes import RECIPES
from harmonium.runs import table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_results_table_is_what_was_recorded() -> None:
    (found,) = re.findall(r"<!-- results -->\n(.*?)<!-- /results -->", README, flags=re.DOTALL)
    assert found.strip() == table.markdown(table.rows(RECIPES, ROOT / "results")).strip()


def test_the_python_runs() -> None:
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL):
        exec(compile(block, "README.md", "exec"), names)
    assert names["net"](names["images"].float()).shape == (1497, 10)  # type: ignore[operator,attr-defined]
    wrong = hm.predict(names["net"], names["digits"].test_images).argmax(1) != names["digits"].test_labels  # type: ignore[attr-defined]
    (said,) = re.findall(r"double\(\)\.mean\(\)\)  # (0\.\d\d):", README)
    assert wrong.double().mean().item() == pytest.approx(float(said), abs=0.02)
