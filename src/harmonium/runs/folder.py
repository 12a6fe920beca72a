"""The folder of one run: its configuration, its metrics and its checkpoints."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import harmonium
from harmonium.files import sweep, write_atomically
from harmonium.processes import is_first
from harmonium.runs.lock import Lock
from harmonium.runs.metrics_file import read_rows
from harmonium.runs.options import Options, settings_of, unlike_defaults
from harmonium.runs.provenance import command, commit, machine

if TYPE_CHECKING:
    from harmonium.couplings.products import Precision
    from harmonium.learning import Callback

CONFIGURATION, METRICS, RESULTS, CHECKPOINTS = "config.json", "metrics.jsonl", "results.json", "checkpoints"
REPORT, SAMPLES, EVALUATION, PAGE = "report.html", "samples.png", "evaluation.png", "page.html"
MAY_CHANGE = {"data_dir", "device"}  # from one session of a run to the next: where the data are, and what computes


class Run:
    """One run of a recipe. `Run.begin` makes its folder, and `Run.open` opens an existing one.

    Parameters
    ----------
    folder : Path
        The folder of the run.
    recipe : str
        The name of the recipe.
    settings : dict
        The settings, as config.json holds them.
    sessions : list of dict
        One entry per start and resume: its commit, its command, and the settings that were not that code's defaults (None where an earlier
        version did not record them).

    Examples
    --------
    >>> from pathlib import Path
    >>> from harmonium.runs import Options, Run
    >>> run = Run.begin("mine", Options(seed=1, out=Path("mine")))
    >>> Run.open("mine").settings["seed"], run.finished
    (1, False)
    """

    def __init__(self, folder: Path, recipe: str, settings: dict[str, Any], sessions: list[dict[str, Any]]) -> None:
        self.folder, self.recipe, self.settings, self.sessions = folder, recipe, settings, sessions
        self.lock: Lock | None = None

    @classmethod
    def begin(cls, recipe: str, options: Options) -> Self:
        """Makes the folder of a run, or opens one that holds a run of the same settings, which then resumes.

        Parameters
        ----------
        recipe : str
            The name of the recipe.
        options : Options
            The options. `out` is the folder, runs/<recipe> by default. With `fresh` the run in the folder is deleted first.

        Raises
        ------
        ValueError
            If the folder holds anything else.
        BlockingIOError
            If another process is learning there.
        """
        folder = options.out or Path("runs") / recipe
        run = cls(folder, recipe, settings_of(options), [])
        if (folder / CONFIGURATION).exists():
            other = cls.open(folder)  # also before anything is deleted: another program's config.json is none of a run's
            run.hold()
            if options.fresh:
                run.clear()
            else:
                names = {**run.settings, **other.settings}.keys() - MAY_CHANGE
                changed = sorted(n for n in names if run.settings.get(n) != other.settings.get(n))
                if other.recipe != recipe or changed:
                    raise ValueError(
                        f"{folder} holds a run of {other.recipe} with other settings ({', '.join(changed) or 'another recipe'}): "
                        "choose another folder with --out, or begin anew there with --fresh"
                    )
                run.sessions = other.sessions
        elif folder.exists() and not folder.is_dir():
            raise ValueError(f"{folder} is a file, and a run needs a folder: choose another with --out")
        elif folder.exists() and any(path.is_file() and not path.name.startswith(".") for path in folder.rglob("*")):
            raise ValueError(f"{folder} is not empty and holds no run: choose another folder with --out")
        run.take_part(type(options))
        return run

    def hold(self) -> None:
        """Keeps other processes from learning in the folder, and clears away what a killed one left half written.

        Raises
        ------
        BlockingIOError
            If another process is learning there.
        """
        if self.lock is None and is_first():
            checkpoints = self.folder / CHECKPOINTS
            checkpoints.mkdir(parents=True, exist_ok=True)
            self.lock = Lock(checkpoints, f"in {self.folder}")
            for folder in (self.folder, checkpoints):
                sweep(folder)

    def release(self) -> None:
        """Lets others learn in the folder."""
        if self.lock is not None:
            self.lock.release()
            self.lock = None

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Self:
        """The run that a folder holds.

        Raises
        ------
        FileNotFoundError
            If the folder holds no run.
        ValueError
            If its config.json cannot be read.
        """
        path = Path(folder) / CONFIGURATION
        if not path.is_file():
            raise FileNotFoundError(f"{folder} holds no run (there is no {path}); `harmonium run RECIPE` makes one")
        try:
            found = json.loads(path.read_text())
            sessions = found.get("sessions") or [{"commit": found.get("commit", "unknown"), "unlike_defaults": None}]
            if not isinstance(found["settings"], dict) or not isinstance(found["recipe"], str):
                raise TypeError("its recipe has no name, or its settings are no table")
            sessions = [_session(each) for each in sessions]
            return cls(Path(folder), found["recipe"], found["settings"], sessions)
        except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"{path} is no run's configuration ({error})") from error

    def take_part(self, kind: type[Options]) -> None:
        """Records the present commit, command and machine as a session of the run, in which no other process may learn meanwhile."""
        self.hold()
        now = {"commit": commit(), "command": command(), "machine": machine(self.settings.get("device", "cpu"))}
        self.sessions.append({**now, "unlike_defaults": unlike_defaults(kind, self.settings)})
        configuration = {"recipe": self.recipe, "settings": self.settings, "version": harmonium.__version__}
        try:
            self.write(CONFIGURATION, {**configuration, "sessions": self.sessions})
        except OSError:
            self.release()
            raise

    def clear(self) -> None:
        """Deletes what a run writes, and nothing else."""
        for name in (RESULTS, REPORT, METRICS, SAMPLES, EVALUATION, PAGE, CONFIGURATION):
            (self.folder / name).unlink(missing_ok=True)
        for path in (self.folder / CHECKPOINTS).glob("*.safetensors*"):
            path.unlink()

    def checkpoint(self, phase: str) -> Path:
        """The file of a phase's training state."""
        return self.folder / CHECKPOINTS / f"{phase.replace(' ', '-')}.safetensors"

    @property
    def precision(self) -> Precision:
        """The precision that every phase of training is given."""
        found: Precision = self.settings.get("precision", "float32")
        return found

    def callbacks(self, phase: str) -> list[Callback]:
        """The callbacks of a phase of training: its progress on the screen, and metrics.jsonl."""
        from harmonium.learning import Progress  # here: a run is opened, listed and refused without PyTorch
        from harmonium.runs.metrics_log import MetricsLog

        return [MetricsLog(self.folder / METRICS, phase), Progress(phase)]

    def histories(self) -> dict[str, list[dict[str, float]]]:
        """The metrics of each phase, one row per epoch."""
        histories: dict[str, list[dict[str, float]]] = {}
        for row in read_rows(self.folder / METRICS):
            histories.setdefault(row.pop("phase"), []).append(row)
        return histories

    @property
    def training_seconds(self) -> float:
        """The time that all phases of training took, interruptions not counted."""
        return sum(rows[-1]["seconds"] for rows in self.histories().values())

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        """Writes a JSON file into the folder, whole or not at all."""
        write_atomically(self.folder / name, (json.dumps(content, indent=2, default=str) + "\n").encode())

    @property
    def commits(self) -> list[str]:
        """Every commit whose code took part, in order of its first session."""
        return list(dict.fromkeys(session["commit"] for session in self.sessions))

    @property
    def machines(self) -> str:
        """Every machine that took part, in order of its first session."""
        return "; ".join(dict.fromkeys(session.get("machine", "unknown") for session in self.sessions))

    @property
    def defaults_changed(self) -> list[str]:
        """The settings whose defaults differ between the commits that took part."""
        known = [set(session["unlike_defaults"]) for session in self.sessions if session["unlike_defaults"] is not None]
        return sorted(set.union(*known) - set.intersection(*known)) if known else []

    def check_there(self) -> None:
        """Raises FileNotFoundError if the folder was deleted or moved while the run was learning."""
        if not (self.folder / CONFIGURATION).is_file():
            raise FileNotFoundError(f"{self.folder} was deleted or moved while it was written to: what was learnt is not all there")

    @property
    def finished(self) -> bool:
        """Whether the run has its results."""
        return (self.folder / RESULTS).exists()

    def results(self) -> dict[str, Any]:
        """The results of a finished run. Raises a ValueError if it has not finished."""
        path = self.folder / RESULTS
        if not self.finished:
            raise ValueError(f"{self.folder} holds a run that has not finished: `harmonium resume {self.folder}` goes on with it")
        content: dict[str, Any] = json.loads(path.read_text())
        return content


def _session(found: Mapping[str, Any]) -> dict[str, Any]:
    """A session as config.json holds it, with what it must have."""
    names = found.get("unlike_defaults")
    return {**found, "commit": str(found["commit"]), "unlike_defaults": None if names is None else list(map(str, names))}
