"""The guide to units and couplings is itself a test: its examples run, and say what it says they say."""

import doctest
import re
from pathlib import Path

import harmonium as hm

GUIDE = (Path(__file__).parents[1] / "docs" / "units.md").read_text()


def test_the_examples_run() -> None:
    names: dict[str, object] = {}
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    runner = doctest.DocTestRunner(optionflags=flags)
    blocks = re.findall(r"```python\n(.*?)```", GUIDE, flags=re.DOTALL)
    assert len(blocks) >= 6
    for number, block in enumerate(blocks):
        test = doctest.DocTestParser().get_doctest(block, names, f"example {number + 1}", "docs/units.md", 0)
        wrong: list[str] = []
        runner.run(test, out=wrong.append, clear_globs=False)
        assert not wrong, "".join(wrong)
        names.update(test.globs)
    assert runner.tries > 25


def test_every_kind_and_coupling_is_in_its_table() -> None:
    listed = set(re.findall(r"^\| `(\w+)", GUIDE, flags=re.MULTILINE))
    kinds = {name for name in hm.__all__ if isinstance(getattr(hm, name), type) and issubclass(getattr(hm, name), hm.Unit | hm.Coupling)}
    assert kinds - {"Unit", "Coupling"} <= listed
