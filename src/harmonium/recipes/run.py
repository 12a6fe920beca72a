"""The folder of one run: its configuration, its figures and its checkpoints."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import torch
import tyro

import harmonium
from harmonium.files import write_atomically
from harmonium.learning import Callback, Progress, TrainingState

CONFIGURATION, FIGURES, RESULTS, CHECKPOINTS = "config.json", "metrics.jsonl", "results.json", "checkpoints"
REPORT, SAMPLES, EVALUATION = "report.html", "samples.png", "evaluation.png"


@dataclasses.dataclass(frozen=True)
class Options:
    """What every recipe can be told."""

    seed: int = 0
    """Of every draw; the same seed, machine and thread count give the same bits."""
    threads: int = 2
    """Number of CPU threads."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where it is computed. Another device's draws, and so its figures in the last digits, are others."""
    smoke: bool = False
    """A few seconds' pass over every step, to see that it runs; its figures mean nothing."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """The run's folder; runs/<recipe> by default."""
    fresh: bool = False
    """Begin anew, deleting the run that the folder holds."""
    record: bool = False
    """Append the outcome to results/<recipe>.json in the present folder."""
    supersede: Annotated[str | None, tyro.conf.arg(metavar="REASON")] = None
    """With --record: move what is recorded of the same setting and seed to the file's superseded list, for this reason."""

    choices: ClassVar[tuple[str, ...]] = ()
    """What a recorded run may choose, because the name of its setting says it; everything else stands at its default."""

    def __post_init__(self) -> None:
        if self.seed < 0 or self.threads < 1:
            raise ValueError(f"a seed is at least 0 and there is at least one thread, found --seed {self.seed} --threads {self.threads}")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("--device cuda needs a GPU that PyTorch sees, and it sees none here")


EARLIER = "earlier"  # in a field's metadata: its value in runs that were begun before there was such a setting
NOT_SETTINGS = ("out", "fresh", "record", "supersede")  # they do not change what is computed
OF_THE_RUN = ("seed", "threads", "device", "data_dir")  # settings that no default is compared with


def settings_of(options: Options) -> dict[str, Any]:
    """The settings as config.json holds them."""
    values = dataclasses.asdict(options)
    return {name: json.loads(json.dumps(value, default=str)) for name, value in values.items() if name not in NOT_SETTINGS}


def unlike_defaults(kind: type[Options], settings: Mapping[str, Any]) -> list[str]:
    """The settings, as config.json holds them, that are not the defaults of this version of the recipe, its choices left out."""
    default = settings_of(kind(**{name: settings[name] for name in kind.choices if name in settings}))
    names = {*default, *settings} - {*OF_THE_RUN}
    return sorted(name for name in names if name not in default or name not in settings or default[name] != settings[name])


def check_recordable(options: Options) -> None:
    """Raises a ValueError unless a recipe is run as it stands: a record is of its own settings, and says nothing of others."""
    if changed := unlike_defaults(type(options), settings_of(options)):
        raise ValueError(f"--record takes a recipe with its own settings, and these are changed: {', '.join(changed)}")


class Run:
    """One run of a recipe. `Run.begin` makes its folder, `Run.open` finds one."""

    def __init__(self, folder: Path, recipe: str, settings: dict[str, Any], sessions: list[dict[str, Any]]) -> None:
        """`sessions`: each begin and resume: its commit, its command, and the settings that were not that code's defaults (None where an
        earlier version did not write them down)."""
        self.folder, self.recipe, self.settings, self.sessions = folder, recipe, settings, sessions

    @classmethod
    def begin(cls, recipe: str, options: Options) -> Self:
        """A new folder, or one that holds a run of the same settings, to go on with. ValueError if it holds anything else."""
        folder = options.out or Path("runs") / recipe
        run = cls(folder, recipe, settings_of(options), [])
        if (folder / CONFIGURATION).exists():
            other = cls.open(folder)  # also before anything is deleted: another program's config.json is none of a run's
            if options.fresh:
                run.clear()
            else:
                names = {**run.settings, **other.settings}.keys() - {
                    "data_dir",
                    "device",
                }  # where the data are, and what computes, may change
                changed = sorted(n for n in names if run.settings.get(n) != other.settings.get(n))
                if other.recipe != recipe or changed:
                    raise ValueError(
                        f"{folder} holds a run of {other.recipe} with other settings ({', '.join(changed) or 'another recipe'}): "
                        "choose another folder with --out, or begin anew there with --fresh"
                    )
                run.sessions = other.sessions
        elif folder.is_dir() and any(folder.iterdir()):
            raise ValueError(f"{folder} is not empty and holds no run: choose another folder with --out")
        run.take_part(type(options))
        (folder / CHECKPOINTS).mkdir(exist_ok=True)
        return run

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Self:
        """The run that a folder holds. FileNotFoundError or ValueError says what is wrong with it."""
        path = Path(folder) / CONFIGURATION
        if not path.is_file():
            raise FileNotFoundError(f"{folder} holds no run (there is no {path}); `harmonium run RECIPE` makes one")
        try:
            found = json.loads(path.read_text())
            sessions = found.get("sessions") or [{"commit": found.get("commit", "unknown"), "unlike_defaults": None}]
            return cls(Path(folder), found["recipe"], found["settings"], sessions)
        except (json.JSONDecodeError, AttributeError, KeyError, TypeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is no run's configuration ({error})") from error

    def take_part(self, kind: type[Options]) -> None:
        """Writes down that the code that is running takes part in the run from here on, as it does in learning and in judging."""
        now = {"commit": commit(), "command": command(), "machine": machine(self.settings.get("device", "cpu"))}
        self.sessions.append({**now, "unlike_defaults": unlike_defaults(kind, self.settings)})
        configuration = {"recipe": self.recipe, "settings": self.settings, "version": harmonium.__version__}
        self.write(CONFIGURATION, {**configuration, "sessions": self.sessions})

    def clear(self) -> None:
        """Deletes what a run writes, and nothing else."""
        for name in (RESULTS, REPORT, FIGURES, SAMPLES, EVALUATION, CONFIGURATION):
            (self.folder / name).unlink(missing_ok=True)
        for path in (self.folder / CHECKPOINTS).glob("*.safetensors"):
            path.unlink()

    def checkpoint(self, phase: str) -> Path:
        """Where a phase of the run keeps its training state."""
        return self.folder / CHECKPOINTS / f"{phase.replace(' ', '-')}.safetensors"

    def callbacks(self, phase: str) -> list[Callback]:
        """What each phase of training shows and writes down."""
        return [_Figures(self.folder / FIGURES, phase), Progress(phase)]

    def histories(self) -> dict[str, list[dict[str, float]]]:
        """The figures of each phase, a row an epoch."""
        histories: dict[str, list[dict[str, float]]] = {}
        for row in _rows(self.folder / FIGURES):
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
        """Every commit whose code took part, in its order."""
        return list(dict.fromkeys(session["commit"] for session in self.sessions))

    @property
    def machines(self) -> str:
        """Every machine that took part, in its order."""
        return "; ".join(dict.fromkeys(session.get("machine", "unknown") for session in self.sessions))

    @property
    def defaults_changed(self) -> list[str]:
        """The settings whose defaults were not the same in all of that code."""
        known = [set(session["unlike_defaults"]) for session in self.sessions if session["unlike_defaults"] is not None]
        return sorted(set.union(*known) - set.intersection(*known)) if known else []

    @property
    def finished(self) -> bool:
        """Whether the run has its results."""
        return (self.folder / RESULTS).exists()

    def results(self) -> dict[str, Any]:
        """What a finished run found. ValueError if it has not finished."""
        path = self.folder / RESULTS
        if not self.finished:
            raise ValueError(f"{self.folder} holds a run that has not finished: `harmonium resume {self.folder}` goes on with it")
        content: dict[str, Any] = json.loads(path.read_text())
        return content


class _Figures(Callback):
    """Appends each epoch's figures to metrics.jsonl; rows from beyond the checkpoint that training goes on from are dropped."""

    def __init__(self, path: Path, phase: str) -> None:
        self.path, self.phase = path, phase

    def on_start(self, state: TrainingState, epochs: int, batches: int) -> None:
        rows = _rows(self.path)
        kept = [row for row in rows if row["phase"] != self.phase or row["epoch"] <= state.epoch]
        if kept != rows:
            write_atomically(self.path, "".join(json.dumps(row) + "\n" for row in kept).encode())

    def on_epoch(self, state: TrainingState) -> None:
        with open(self.path, "a") as file:
            file.write(json.dumps({"phase": self.phase, **state.history[-1]}) + "\n")


def _rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file that may end in half a line, where a run was killed."""
    rows = []
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def command() -> str:
    """The command that is running, as one would type it."""
    return shlex.join(["harmonium", *sys.argv[1:]])


def machine(device: str = "cpu") -> str:
    """The machine, in words."""
    if device == "cuda":
        return f"{torch.cuda.get_device_name()}, {platform.system()}, Python {platform.python_version()}, torch {torch.__version__}"
    model = platform.processor() or platform.machine()
    for line in _lines("/proc/cpuinfo"):
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{os.cpu_count()} cores, {model}, {platform.system()}, Python {platform.python_version()}, torch {torch.__version__}"


def _lines(path: str) -> Sequence[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return ()


def commit() -> str:
    """The commit of the code that is running, marked if files that it tracks differ from it; "unknown" outside a checkout.

    The environment variable HARMONIUM_COMMIT says it where a copy of the code does not know.
    """
    if said := os.environ.get("HARMONIUM_COMMIT"):
        return said
    try:
        return git("rev-parse", "HEAD") + ("-changed" if git("status", "--porcelain", "--untracked-files=no", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def git(*arguments: str) -> str:
    """What git says of the checkout that this code is of. OSError or CalledProcessError where it says nothing."""
    found = subprocess.run(["git", *arguments], cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    return found.stdout.strip()
