"""Every public name is documented in numpydoc form, and its examples run."""

import dataclasses
import doctest
import importlib
import inspect
import re
import typing

import pytest
from numpydoc.docscrape import FunctionDoc

ROOMS = (
    "units",
    "couplings",
    "data",
    "data.speech",
    "models",
    "analysis",
    "sequence",
    "nets",
    "sampling",
    "likelihood",
    "learning",
    "report",
    "runs",
)


def public(room):
    """The names of a room, each with what it is; modules and plain values apart."""
    module = importlib.import_module(f"harmonium.{room}")
    return {name: found for name in module.__all__ if callable(found := getattr(module, name)) and inspect.getdoc(found)}


CASES = [(room, name) for room in ROOMS for name in public(room)]


def parameters(found):
    """What a caller gives: the arguments of a function or of a constructor."""
    names = [name for name, each in inspect.signature(found).parameters.items() if each.kind != each.VAR_KEYWORD]
    return [name for name in names if name not in ("self", "args")]


def fields_with_a_docstring(found):
    """The fields of a dataclass that a docstring follows, which is also the command line's help."""
    kinds = [each for each in found.__mro__ if dataclasses.is_dataclass(each)] if inspect.isclass(found) else []
    return [name for kind in kinds for name in re.findall(r'^    (\w+): .+\n    """', inspect.getsource(kind), flags=re.MULTILINE)]


def is_protocol(found):
    return inspect.isclass(found) and getattr(found, "_is_protocol", False)


@pytest.mark.parametrize(("room", "name"), CASES)
def test_sections(room, name):
    found = public(room)[name]
    if typing.get_origin(found):  # a type alias has no docstring of its own
        return
    doc = FunctionDoc(found, doc=inspect.getdoc(found))
    assert doc["Summary"], "a summary"
    assert not re.search(r"[a-z] -{3,}", inspect.getdoc(found)), "a section's title stands on a line of its own"
    if is_protocol(found):
        return
    told = [each.name.lstrip("*") for each in (*doc["Parameters"], *doc["Other Parameters"], *doc["Attributes"])]
    told = [part.strip().lstrip("*") for each in told for part in each.split(",")]
    missing = [each for each in parameters(found) if each not in (*told, *fields_with_a_docstring(found))]
    assert not missing, f"Parameters of {name} without {missing}"
    if not inspect.isclass(found):
        returns = inspect.signature(found).return_annotation
        assert returns in ("None", None) or doc["Returns"] or doc["Yields"], f"Returns of {name}"
    if not inspect.isabstract(found) and not (inspect.isclass(found) and dataclasses.is_dataclass(found)):
        assert doc["Examples"], f"Examples of {name}"


@pytest.mark.parametrize("room", ROOMS)
def test_examples_run(room, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    finder = doctest.DocTestFinder(recurse=False)
    said = []
    for name, found in public(room).items():
        module = importlib.import_module(found.__module__)
        for test in finder.find(found, name=f"{room}.{name}", module=module, globs=dict(vars(module))):
            runner.run(test, out=said.append)
    assert not runner.failures, "".join(said)
