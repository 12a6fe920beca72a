"""The examples in the docstrings of what draws, and of the terminal."""

import doctest
from importlib import import_module

import pytest

MODULES = (
    "report.charts",
    "report.figures",
    "report.names",
    "report.style",
    "report.time_curves",
    "report.utterance_picture",
    "recipes",
    "usage",
    "parsing",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    found = doctest.testmod(import_module(f"harmonium.{name}"))
    assert found.attempted > 0
    assert found.failed == 0
