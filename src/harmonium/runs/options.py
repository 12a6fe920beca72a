"""The options that all recipes share, and the settings that config.json and a record hold."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_type_hints

import tyro

from harmonium.runs.setting_values import check_numbers, has_type

NOT_SETTINGS = ("out", "fresh", "record", "supersede")  # they do not change what is computed
OF_THE_RUN = ("seed", "threads", "device", "data_dir")  # settings that no default is compared with
NAMED = ("precision",)  # choices of every recipe: `Recipe.results` puts them into the name of the setting
EARLIER = "earlier"  # in a field's metadata: its value in runs that were begun before there was such a setting (see Options.former)
MOST_THREADS = 1024
Kind = TypeVar("Kind")


@dataclasses.dataclass(frozen=True)
class Options:
    """The options that all recipes share."""

    seed: int = 0
    """The seed of every draw. The same seed, machine and thread count give the same bits."""
    threads: int = dataclasses.field(default_factory=lambda: usual_threads())
    """Number of CPU threads. By default two, or fewer where OMP_NUM_THREADS or the processors allowed are fewer."""
    device: Literal["cpu", "cuda"] = "cpu"
    """The device. Draws depend on the device, and so do the last digits of the figures."""
    precision: Literal["float32", "bfloat16", "auto"] = dataclasses.field(default="float32", metadata={EARLIER: "float32"})
    """Of the products in an update. "auto" is bfloat16 where the device has instructions for it. Likelihoods stay in float32."""
    smoke: bool = False
    """Run every step within a few seconds, as a test. The figures mean nothing."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """The run's folder; runs/<recipe> by default."""
    fresh: bool = False
    """Begin anew, deleting the run that the folder holds."""
    record: bool = False
    """Append the outcome to results/<recipe>.json in the present folder."""
    supersede: Annotated[str | None, tyro.conf.arg(metavar="REASON")] = None
    """With --record: move what is recorded of the same setting and seed to the file's superseded list, for this reason."""

    choices: ClassVar[tuple[str, ...]] = ()
    """The options that a recorded run may set, because the name of its setting contains them. All others must have their defaults."""
    former: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """Options that the recipe no longer has, each with its only allowed value. They stay among the settings, so that the settings of
    earlier runs and records still match."""

    def __post_init__(self) -> None:
        check_numbers(self)
        if self.threads < 1:
            raise ValueError(f"there is at least one thread, found --threads {self.threads}")
        if self.threads > MOST_THREADS:
            raise ValueError(f"at most {MOST_THREADS} threads are of use, found --threads {self.threads}")
        if self.device == "cuda":
            import torch  # here: options are read, and refused, before anything that is slow to import is needed

            if not torch.cuda.is_available():
                raise ValueError("--device cuda needs a GPU that PyTorch sees, and it sees none here")


def usual_threads() -> int:
    """Two, or fewer where the environment variable OMP_NUM_THREADS or the processors that this process may use are fewer."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return max(1, min(2, allowed, int(asked) if asked.isdecimal() else 2))


def settings_of(options: Options) -> dict[str, Any]:
    """The settings as config.json holds them.

    Precision "auto" is there what it is on this machine. A later option is left out while it is what it was earlier, if that is its default
    too: then settings match those of runs and records that are older than the option.
    """
    if options.precision == "auto":
        options = dataclasses.replace(options, precision=_precision_here(options.device))
    as_ever = {
        each.name
        for each in dataclasses.fields(options)
        if EARLIER in each.metadata and each.metadata[EARLIER] == each.default == getattr(options, each.name)
    }
    values = {**dataclasses.asdict(options), **options.former}
    return {name: json.loads(json.dumps(values[name], default=str)) for name in values if name not in {*NOT_SETTINGS, *as_ever}}


def _precision_here(device: str) -> Literal["float32", "bfloat16"]:
    """What precision "auto" is on a device of this machine."""
    import torch  # here: as above

    from harmonium.couplings.products import multiplies_bfloat16

    return "bfloat16" if multiplies_bfloat16(torch.device(device)) else "float32"


def from_settings(kind: type[Kind], settings: Mapping[str, Any]) -> Kind:
    """Rebuild the options of a run from the settings in its config.json.

    Parameters
    ----------
    kind
        The recipe's class, or that of one of its fields.
    settings
        From config.json.

    Returns
    -------
    Options
        An instance of `kind`. Fields that are dataclasses are rebuilt too.

    Raises
    ------
    KeyError, TypeError
        Where the settings are not those of this version of the class.

    Examples
    --------
    >>> from harmonium.runs import Options, from_settings
    >>> from_settings(Options, {"seed": 3, "threads": 1}).seed
    3
    """
    if not isinstance(settings, Mapping):
        raise TypeError(f"settings cannot be {settings!r}")
    hints, values = get_type_hints(kind), {}
    former = getattr(kind, "former", {})
    for name, value in settings.items():
        if name in former and name not in hints:
            if value != former[name]:
                raise KeyError(f"{name} can no longer be {value!r}")
            continue
        hint = hints[name]
        if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
            value = from_settings(hint, value)  # type: ignore[arg-type]  # it is a class, as annotations are
        elif isinstance(value, list):
            value = tuple(value)
        elif hint == Path | None and value is not None:
            value = Path(value) if isinstance(value, str) else value
        if not has_type(value, hint):
            raise TypeError(f"{name} cannot be {value!r}")
        values[name] = value
    return kind(**values)


def earlier(kind: type[Options], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that there were not when a run was begun, at the values that they had before they could be chosen."""
    fields = {each.name: each.metadata for each in dataclasses.fields(kind)}
    return {name: metadata[EARLIER] for name, metadata in fields.items() if EARLIER in metadata and name not in settings}


def unlike_defaults(kind: type[Options], settings: Mapping[str, Any]) -> list[str]:
    """The settings, as config.json holds them, that are not the defaults of this version of the recipe, its choices left out."""
    default = settings_of(kind(**{name: settings[name] for name in (*NAMED, *kind.choices) if name in settings}))
    names = {*default, *settings} - {*OF_THE_RUN}
    return sorted(name for name in names if name not in default or name not in settings or default[name] != settings[name])


def check_recordable(options: Options) -> None:
    """Raises a ValueError unless a recipe is run as it stands: a record is of its own settings, and says nothing of others."""
    if changed := unlike_defaults(type(options), settings_of(options)):
        raise ValueError(f"--record takes a recipe with its own settings, and these are changed: {', '.join(changed)}")
