"""What a setting can be, and how many threads a run takes."""

import os
from pathlib import Path
from typing import Literal

import pytest

from harmonium.runs.options import Options, from_settings, usual_threads
from harmonium.runs.setting_values import has_type

FITS = [
    (3, int, True), (3.0, int, False), (True, int, False), ("3", int, False),
    (3, float, True), (float("nan"), float, True), (None, float | None, True), ("x", float | None, False),
    ((1, 2), tuple[int, ...], True), ((1, "2"), tuple[int, ...], False), ([1], tuple[int, ...], False),
    ((1, 2), tuple[int, int], True), ((1, 2, 3), tuple[int, int], False),
    ("cpu", Literal["cpu", "cuda"], True), ("gpu", Literal["cpu", "cuda"], False), (True, Literal[1], False),
    (Path("x"), Path | None, True), ("x", Path | None, False), (True, bool, True), (1, bool, False),
]  # fmt: skip


@pytest.mark.parametrize(("value", "hint", "expected"), FITS)
def test_types(value: object, hint: object, expected: bool) -> None:
    assert has_type(value, hint) is expected


@pytest.mark.parametrize("settings", [{"seed": "1"}, {"seed": -1}, {"seed": 2**40}, {"threads": 0}, {"device": "tpu"}, {"smoke": 1}, 3])
def test_settings_that_no_run_has(settings: object) -> None:
    with pytest.raises((TypeError, ValueError), match=r"cannot be|takes numbers|at least one thread"):
        from_settings(Options, settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(("asked", "expected"), [("1", 1), ("2", 2), ("64", 2), ("1,2", 1), ("", 2), ("many", 2), ("0", 1)])
def test_threads_are_those_of_the_environment(asked: str, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert usual_threads() == Options().threads == min(expected, allowed)
