"""What all pages of the gallery share."""

import ast
import fnmatch
import itertools
import os
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import matplotlib.style
import pytest
from matplotlib.colors import to_hex

from harmonium.report import style
from tests.gallery import prose
from tests.gallery.scripts import GALLERY

ROOT = GALLERY.parents[1]
SCRIPTS = sorted(GALLERY.glob("plot_*.py"))


def test_the_gallery_looks_like_the_report() -> None:
    with matplotlib.rc_context():
        matplotlib.style.use("harmonium.report.figures")
        look = matplotlib.rcParams
        assert look["figure.dpi"] == style.DPI
        assert tuple(to_hex(colour) for colour in look["axes.prop_cycle"].by_key()["color"]) == tuple(c.lower() for c in style.LINES)
        for key, colour in (("grid.color", style.HAIR), ("axes.labelcolor", style.INK), ("xtick.labelcolor", style.MUTED)):
            assert to_hex(str(look[key])) == colour


def test_a_downloaded_script_runs_in_an_empty_folder(tmp_path: Path) -> None:
    name = "plot_13_from_binary_to_rectified.py"
    shutil.copy(GALLERY / name, tmp_path)
    environment = {**os.environ, "MPLBACKEND": "agg"}
    done = subprocess.run([sys.executable, name], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "offset copies: mean within 0.0106" in done.stdout


def test_the_style_travels_with_the_package() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["harmonium"]
    package = ROOT / "src" / "harmonium"
    files = {str(path.relative_to(package)) for path in package.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert "report/figures.mplstyle" in files
    assert all(any(fnmatch.fnmatch(name, pattern) for pattern in settings) for name in files)


def test_a_page_shows_what_its_script_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no repr of a plot's last line, which is an address."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    settings = runpy.run_path(str(ROOT / "docs" / "conf.py"))["sphinx_gallery_conf"]
    assert settings["capture_repr"] == ()
    assert settings["abort_on_example_error"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_needs_the_package_alone(script: Path) -> None:
    """No file beside it, and no library but what the package itself needs; one thread, so that it takes seconds everywhere."""
    text = script.read_text()
    nodes = list(ast.walk(ast.parse(text)))
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    needed = {"harmonium", "matplotlib", "numpy", "scipy", "sklearn", "torch", "PIL"}  # matplotlib brings PIL
    assert {name.partition(".")[0] for name in imported} <= needed | sys.stdlib_module_names
    assert "__file__" not in text
    assert 'plt.style.use("harmonium.report.figures")\ntorch.set_num_threads(1)' in text


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_every_cell_begins_after_a_blank_line(script: Path) -> None:
    """Below a comment a new cell's mark would be text of the cell before it."""
    lines = script.read_text().splitlines()
    assert all(not above for above, line in itertools.pairwise(lines) if line.startswith("# %%"))


def test_figures_without_a_source_are_found() -> None:
    script = '''"""
Title
=====

"A slide says 77." It took 1,497 cases (Hinton 2006).
"""

CASES = 1_497
# %%
# The gap is 0.125 nats, 30 % of all, or 3·10⁻⁷. There are 1,497 cases, of which 15 count.
print(gap, share, least)
'''
    assert prose.without_source(script, "0.1249 0.2978 3e-07 15") == []
    for printed, missing in (("0.1258 0.2978 3e-07 15", "0.125"), ("0.1249 0.3061 3e-07 15", "30 %"), ("0.1249 0.2978 4e-07 15", "3·10⁻⁷")):
        (wrong,) = prose.without_source(script, printed)
        assert missing in wrong
    assert len(prose.without_source(script.replace("CASES = 1_497\n", ""), "0.1249 0.2978 3e-07 16")) == 3
