"""`.. public-names:: room` documents what a room of the package makes public, under the name that users know it by.

What `harmonium` itself exports stands as harmonium.X, what only the room's own `__all__` has as harmonium.room.X. Nothing has to be listed
here, so that a new public name is on the site as soon as it is exported. The option `:main:` names what a user meets first: these come
first, in that order, and the room's other names follow under "Advanced". Without it, what `harmonium` itself exports is what comes first.
"""

from __future__ import annotations

import importlib
import inspect
from types import ModuleType
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

import harmonium

logger = logging.getLogger(__name__)


def public(room: str) -> list[tuple[str, Any]]:
    """(qualified name, object) of all that a room makes public, classes before functions before modules."""
    module = importlib.import_module(f"harmonium.{room}")
    found = {}
    for name in module.__all__:
        value = getattr(module, name)
        if not (inspect.isclass(value) or inspect.isroutine(value) or inspect.ismodule(value)):
            continue  # a constant, or an alias of a type
        home = "harmonium" if getattr(harmonium, name, None) is value and name in harmonium.__all__ else f"harmonium.{room}"
        found[f"{home}.{name}"] = value

    def order(item: tuple[str, Any]) -> tuple[int, int, str]:
        name, value = item
        return 2 if inspect.ismodule(value) else 0 if inspect.isclass(value) else 1, name.count("."), name

    return sorted(found.items(), key=order)


def parts(room: str, main: list[str]) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]], set[str]]:
    """What comes first, what is advanced, and which of the names asked for the room does not have."""
    names = public(room)
    short = {name.rsplit(".", 1)[1]: (name, value) for name, value in names}
    first = [short[name] for name in main if name in short] or [pair for pair in names if pair[0].count(".") == 1] or names
    return first, [pair for pair in names if pair not in first], set(main) - short.keys()


def own_functions(module: ModuleType) -> list[str]:
    """The public classes and functions that a module defines itself."""
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == module.__name__
        and value.__doc__
    ]


def described(names: list[tuple[str, Any]]) -> list[str]:
    """A table of the names, then each of them, as reStructuredText."""
    lines = [".. autosummary::", "   :nosignatures:", "", *(f"   ~{name}" for name, _ in names), ""]
    for name, value in names:
        if inspect.isclass(value):
            lines += [f".. autoclass:: {name}", "   :members:", "   :show-inheritance:", ""]
        elif inspect.ismodule(value):
            own = own_functions(value)  # of a package none: what it exports stands under a heading of its own
            lines += [f".. automodule:: {value.__name__}", *([f"   :members: {', '.join(own)}"] if own else []), ""]
        else:
            lines += [f".. autofunction:: {name}", ""]
    return lines


class PublicNames(SphinxDirective):
    """Tables of a room's public names, each followed by the names themselves."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"main": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(__file__)
        first, advanced, unknown = parts(self.arguments[0], self.options.get("main", "").split())
        if unknown:
            logger.warning("harmonium.%s has no %s", self.arguments[0], ", ".join(sorted(unknown)), location=self.get_location())
        lines = described(first)
        if advanced:
            lines += ["Advanced", "--------", "", *described(advanced)]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def _skip(app: Sphinx, what: str, name: str, value: Any, skip: bool, options: Any) -> bool | None:
    """The fields of a named tuple are told by its docstring; Python only says that each has a number. PyTorch documents its own."""
    numbered = (getattr(value, "__doc__", None) or "").startswith("Alias for field number")
    return True if numbered or (getattr(value, "__module__", None) or "").startswith("torch.") else None


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("public-names", PublicNames)
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
