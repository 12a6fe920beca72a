"""The README is itself a test: its table is made from the recorded results, and its Python runs."""

import importlib
import re
import sys
from pathlib import Path

import pytest

import harmonium as hm

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_results_table_is_what_was_recorded() -> None:
    """Chosen rows of the site's long table; `python docs/extensions/results_table.py` writes them."""
    sys.path.insert(0, str(ROOT / "docs" / "extensions"))
    try:
        results_table = importlib.import_module("results_table")
    finally:
        sys.path.pop(0)
    (found,) = re.findall(r"<!-- results -->\n(.*?)<!-- /results -->", README, flags=re.DOTALL)
    rows = results_table.headlines(ROOT / "results")
    assert 6 <= len(rows) <= 8
    assert found.strip() == results_table.table.markdown(rows).strip()


def test_the_python_runs() -> None:
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL):
        exec(compile(block, "README.md", "exec"), names)
    assert names["net"](names["images"].float()).shape == (1497, 10)  # type: ignore[operator,attr-defined]
    wrong = hm.predict(names["net"], names["digits"].test_images).argmax(1) != names["digits"].test_labels  # type: ignore[attr-defined]
    (said,) = re.findall(r"double\(\)\.mean\(\)\)  # (0\.\d\d):", README)
    assert wrong.double().mean().item() == pytest.approx(float(said), abs=0.02)
