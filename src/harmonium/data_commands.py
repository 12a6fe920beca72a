"""What a model of the user's own data is asked: features, labels, imputed values; and runs side by side."""

from __future__ import annotations

import dataclasses
import io
import os
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table as Printed
from torch import Tensor

from harmonium.data.readers import is_table, read
from harmonium.data.sheets import Sheet, written
from harmonium.data.tables import as_tensor
from harmonium.files import write_atomically
from harmonium.learning import predict as outputs_of
from harmonium.learning.greedy import features as means_of
from harmonium.models import DBN, load
from harmonium.own_data import Encoding, Rows, without
from harmonium.runs.folder import Run
from harmonium.runs.options import OF_THE_RUN
from harmonium.sampling import impute as impute_rows
from harmonium.train_commands import CLASSIFIER, MODEL, kept

Folder = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
Data = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
Out = Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FILE")]
SEPARATORS = {".csv": ",", ".tsv": "\t"}


@dataclasses.dataclass(frozen=True)
class Asked:
    """A run's rules, and data read by them."""

    run: Run
    rules: Encoding
    data: Any

    @classmethod
    def of(cls, folder: Path, data: Path, key: str | None = None) -> Asked:
        run = Run.open(folder)
        rules, label, _ = kept(run)
        found = read(data, key=key or (run.settings["key"] if data.suffix == ".npz" else None), missing=run.settings["missing"])
        return cls(run, rules, without(found, [*run.settings["without"], *([label] if label else ())], known=False))

    @property
    def rows(self) -> Rows:
        """The data as states."""
        return self.rules.encode(self.data)

    def file(self, name: str) -> Any:
        """A model of the run. ValueError if it is not there yet."""
        path = self.run.folder / name
        if not path.is_file():
            raise ValueError(f"there is no {path}: " + (self.lacking if name == CLASSIFIER else "the run has not finished"))
        return load(path)

    lacking = "`harmonium train` with --labels learns a classifier"


def features(folder: Folder, data: Data, out: Out, key: str | None = None) -> None:
    """Write the means of the top hidden units for each row, (rows, hidden units).

    Parameters
    ----------
    folder
        The folder that `harmonium train` made.
    data
        A file or folder of data of the same kind as those that were learnt.
    out
        The file to write: .npy, .csv or .tsv.
    key
        The array of an .npz file.
    """
    check_out(out, {".npy", *SEPARATORS})
    asked = Asked.of(folder, data, key)
    model = asked.file(MODEL)
    rbms = model.rbms if isinstance(model, DBN) else [model]
    rows = asked.rows
    means = as_tensor(rows.states) if not rbms else means_of(as_tensor(rows.states), *rbms, given=rows.given)
    write(out, means.numpy(), "feature")


def predict(folder: Folder, data: Data, out: Out, key: str | None = None) -> None:
    """Write the label of each row and its probability, by a run that learnt a classifier.

    Parameters
    ----------
    folder
        The folder that `harmonium train --labels` made.
    data
        A file or folder of data of the same kind as those that were learnt.
    out
        The file to write: .csv or .tsv.
    key
        The array of an .npz file.
    """
    check_out(out, set(SEPARATORS))
    asked = Asked.of(folder, data, key)
    net, classes = asked.file(CLASSIFIER), kept(asked.run)[2]
    rows = asked.rows
    if rows.given:
        raise ValueError(f"{data} has gaps, and a classifier takes rows without: fill them by `harmonium impute` first")
    sure, number = outputs_of(net, as_tensor(rows.states)).softmax(1).max(1)
    found = {"label": [str(classes[n]) for n in number.tolist()], "probability": [f"{each:.4f}" for each in sure.tolist()]}
    write_sheet(out, Sheet(found))


def impute(folder: Folder, data: Data, out: Out, key: str | None = None, chains: int = 20, steps: int = 100, seed: int = 0) -> None:
    """Fill the gaps of data by their most probable label or their mean; what was seen stays as it was.

    Parameters
    ----------
    folder
        The folder that `harmonium train` made, of one layer of hidden units.
    data
        A file of data of the same kind as those that were learnt.
    out
        The file to write: .csv or .tsv of a table, .npy of an array.
    key
        The array of an .npz file.
    chains, steps
        Clamped Gibbs chains of each row with gaps, and their sweeps.
    seed
        Of all draws.
    """
    check_out(out, {".npy", *SEPARATORS})
    asked = Asked.of(folder, data, key)
    model = asked.file(MODEL)
    if isinstance(model, DBN):
        raise ValueError(f"impute takes a run of one layer of hidden units, and {folder} has {len(model.rbms)}")
    rows = asked.rows
    if is_table(asked.data) and out.suffix.lower() not in SEPARATORS:
        raise ValueError(f"a table is written to a file that ends in {', '.join(SEPARATORS)}, found {out}")
    if not rows.given:
        raise ValueError(f"{data} has no gaps (--missing of `harmonium train` names a value that stands for one)")
    found: Tensor = impute_rows(model, as_tensor(rows.states), chains=chains, steps=steps, seed=seed).rows
    filled = asked.rules.filled(asked.data, found)
    if is_table(filled):
        write_table(out, filled)
    else:
        write(out, filled, "column")


def compare(folder: Folder, other: Folder) -> None:
    """Print the settings in which two runs differ, and their figures side by side.

    Parameters
    ----------
    folder, other
        Folders of finished runs.
    """
    runs = Run.open(folder), Run.open(other)
    results = [run.results() for run in runs]
    shown = Printed("", *(str(run.folder) for run in runs))
    names = dict.fromkeys(name for run in runs for name in run.settings if name not in OF_THE_RUN or name == "seed")
    differ = {name: [run.settings.get(name) for run in runs] for name in names}
    for name, values in differ.items():
        if values[0] != values[1]:
            shown.add_row(name, *map(_told, values))
    for name in dict.fromkeys(name for each in results for name in each["metrics"]):
        found = [each["metrics"].get(name) for each in results]
        shown.add_row(name.replace("_", " "), *("–" if each is None else f"{each['value']:.4g} {each['unit']}".strip() for each in found))
    shown.add_row("seconds", *(f"{each['seconds']:g}" for each in results))
    console = Console()
    console.print(shown)
    if runs[0].recipe != runs[1].recipe or runs[0].settings.get("data") != runs[1].settings.get("data"):
        console.print("They are of different data or recipes: their figures cannot be compared.")


def _told(value: Any) -> str:
    return "–" if value is None else " ".join(map(str, value)) if isinstance(value, list) else str(value)


def check_out(path: Path, suffixes: set[str]) -> None:
    """Raises a ValueError, before any work, for a file of a kind that is not written."""
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"-o takes a file that ends in {', '.join(sorted(suffixes))}, found {path}")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise ValueError(f"-o takes a file in a folder that can be written to, found {path}")


def write(path: Path, array: np.ndarray[Any, Any], name: str) -> None:
    """Writes an array, to a table with numbered columns if the file is one."""
    if path.suffix.lower() == ".npy":
        content = io.BytesIO()
        np.save(content, array)
        write_atomically(path, content.getvalue())
        print(f"{path}: {' x '.join(map(str, array.shape))}")
    else:
        columns = array.reshape(len(array), -1).T
        write_sheet(path, Sheet({f"{name} {place}": [f"{value:.7g}" for value in each] for place, each in enumerate(columns, 1)}))


def write_table(path: Path, frame: Any) -> None:
    """Writes a table of any library as text."""
    separator = SEPARATORS[path.suffix.lower()]
    if isinstance(frame, Sheet):
        write_sheet(path, frame)
        return
    text = frame.write_csv(separator=separator) if hasattr(frame, "write_csv") else frame.to_csv(sep=separator, index=False)
    write_atomically(path, text.encode())
    print(f"{path}: {len(frame)} x {len(frame.columns)}")


def write_sheet(path: Path, sheet: Sheet) -> None:
    """Writes a table of text."""
    write_atomically(path, written(sheet, SEPARATORS[path.suffix.lower()]).encode())
    print(f"{path}: {len(sheet)} x {len(sheet.columns)}")
