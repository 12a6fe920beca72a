"""NORB's pairs where its files are, and toy objects in its place elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from harmonium.data import norb, toy_objects
from harmonium.data.norb import Kind, Norb
from harmonium.files import read_tensors, write_tensors
from harmonium.runs.folder import Run

Objects = Literal["auto", "norb", "toy"]


def load(run: Run, kind: Kind, objects: Objects, data_dir: Path | None) -> tuple[Norb, bool]:
    """The pairs, and whether they are toy objects: those of the whole set, which are drawn once.

    Parameters
    ----------
    run, kind, objects, data_dir
        As for `real`.
    """
    found = real(run, kind, objects, data_dir)
    return found or toy_objects.load(kind), found is None


def real(run: Run, kind: Kind, objects: Objects, data_dir: Path | None) -> Norb | None:
    """NORB's pairs, or None where the run is on toy objects.

    Parameters
    ----------
    run
        The folder of the run, which keeps to the pairs that it began with.
    kind
        Which set.
    objects
        "norb" or "toy"; "auto" is NORB where its files are, and toy objects elsewhere, unless a folder is named that should have them.
    data_dir
        The folder of NORB's files.
    """
    path = run.checkpoint("objects")
    chosen = read_tensors(path)[1]["objects"] if path.exists() else objects
    found = None
    if chosen != "toy":
        try:
            found = norb.load(kind, data_dir)
        except FileNotFoundError:
            if chosen == "norb" or data_dir is not None:
                raise
    write_tensors(path, {}, {"objects": "toy" if found is None else "norb"})
    return found
