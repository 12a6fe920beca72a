"""The shape of the code: short files and functions, no name twice, few things handed on."""

import ast
from collections import Counter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "harmonium"
FILES = sorted(PACKAGE.rglob("*.py"))
TYPED = {"fit", "greedy", "greedy_dbm", "wake_sleep", "fine_tune", "search"}  # what users type: many keywords, each of its own
ENTRY_POINTS = TYPED | {"fit_replicas", "greedy_replicas", "fine_tune_replicas"}  # and what those hand all their keywords to
PARTS_OF_A_RECIPE = {"__init__.py", "recipe.py", "pictures.py"}
LONGEST_FILE, LONGEST_FUNCTION, MOST_ARGUMENTS = 300, 60, 8


def documentation(node: ast.AST) -> int:
    """Lines of the docstrings in a function: an entry point tells all its keywords."""
    found = 0
    for each in ast.walk(node):
        if isinstance(each, ast.FunctionDef) and (text := ast.get_docstring(each, clean=False)):
            found += text.count("\n") + 1
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_is_long(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_FILE


def test_no_basename_occurs_twice() -> None:
    counted = Counter(path.name for path in FILES if path.name not in PARTS_OF_A_RECIPE)
    assert not {name for name, count in counted.items() if count > 1}


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("learning/**/*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_functions_of_learning_are_short_and_take_few_things(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno + 1 - documentation(node) <= LONGEST_FUNCTION, node.name
            if node.name not in ENTRY_POINTS and node.name != "__init__":
                assert len(node.args.args) + len(node.args.kwonlyargs) <= MOST_ARGUMENTS, node.name
