"""Structured noise on MNIST's digits: do top-down effects improve the recognition of noisy images?

The question is a slide's of the tutorial (IPAM 2012): "after an initial bottom-up pass, gradually turn down the bottom-up weights and turn
up the top-down weights"; no number stands beside it. The net is that of `mnist-joint`, learnt from clean digits; it is told nothing of
where the noise is, nor of which kind. Schedules are chosen, one for all kinds, on the last 10,000 training digits, which the net does not
learn from. Three families: the slide's procedure; the same with a gate on each pixel, which is doubted where the layers above cannot
account for it; and the gate that knows beside that noise is ink. Ours, times and machine: results/mnist-denoise.json; what was tried:
docs/recipes/mnist-denoise.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import Tensor

from harmonium.data import Dataset, mnist, noise
from harmonium.models import DBN, label_free_energy
from harmonium.recipes.denoise.pictures import sections
from harmonium.recipes.denoise.schedule import FAMILIES, Schedule
from harmonium.recipes.shared.joint_net import JointPlan, Top, UpDown, joint_plan, learn_greedily, learn_up_down, learnt_so_far
from harmonium.recipes.shared.labelled_split import FEW, Split
from harmonium.recipes.shared.stack import Layers
from harmonium.report import page
from harmonium.runs.contract import Metric, Recipe
from harmonium.runs.folder import REPORT, Run
from harmonium.runs.report_page import write_run_report
from harmonium.sampling import top_down
from harmonium.seeds import derive

VALIDATION = 10_000  # training digits, the last ones, that the net does not learn from
ROWS = 1000  # digits cleaned together
LOSS = 0.3  # points of error on clean digits that a schedule may cost
NOISES: dict[str, noise.Noise | None] = {
    "clean": None,
    "strokes": noise.Strokes(count=4, width=2),
    "grid": noise.Grid(period=7),
    "block": noise.Block(size=8),
    "border": noise.Border(width=3),
    "salt and pepper": noise.SaltAndPepper(share=0.1),
}
STRUCTURED = ("strokes", "grid", "block", "border")  # that schedules are chosen by
Table = dict[str, dict[str, float]]  # percent of the digits that are taken for another, by way of looking and kind of noise


@dataclasses.dataclass(frozen=True)
class MnistDenoise(Recipe):
    """Recognition of digits under structured noise, bottom-up alone and with top-down effects; the net is learnt first."""

    layers: Layers = Layers(units=(500, 500, 2000), epochs=30)
    labelled: Top = Top()
    up_down: UpDown = UpDown(epochs=60)
    quick: bool = False
    """A shorter run: 8 epochs a layer, 12 of wake-sleep."""
    data_dir: Path | None = None
    """Where the four original files are, if not in $HARMONIUM_DATA or the cache."""
    searched: int = 1000
    """Validation digits under each kind of noise that schedules are chosen on; what they cost clean digits is measured on all of them."""

    choices: ClassVar[tuple[str, ...]] = ("quick",)
    former: ClassVar[Mapping[str, Any]] = MappingProxyType({"held_out": 0})
    name: ClassVar[str] = "mnist-denoise"
    paper: ClassVar[str] = "Hinton, tutorial on deep learning, IPAM 2012"
    published: ClassVar[dict[str, str]] = {}
    headline_metrics: ClassVar[tuple[str, ...]] = tuple(
        f"test_{way}_error_percent_{kind}" for kind in ("clean", "block") for way in ("bottom_up", "top_down", "gate", "gate_noise_is_ink")
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.plan()  # which refuses what cannot be learnt
        if self.searched < 1:
            raise ValueError(f"schedules are chosen on at least one digit, found {self.searched}")

    @property
    def setting(self) -> str:
        """What the records call these options."""
        return "smoke" if self.smoke else "quick" if self.quick else "full"

    def plan(self) -> JointPlan:
        """How the net is learnt."""
        return joint_plan(self.layers, self.labelled, self.up_down, smoke=self.smoke, quick=self.quick, seed=self.seed)

    def cases(self) -> tuple[Dataset, Split, Split]:
        """The data set; what the net learns from and the validation digits; and the test digits beside them."""
        data = mnist.load(self.data_dir)
        images, labels, held, truth = data.hold_out(VALIDATION)
        few, kept = (slice(FEW), slice(100)) if self.smoke else (slice(None), slice(None))
        validation = Split(images[few], labels[few], held[kept], truth[kept], "validation")
        return data, validation, Split(images[few], labels[few], data.test_images[few], data.test_labels[few], "test")

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: learn the net; choose a schedule of each family on validation digits; judge all on the test digits."""
        torch.set_num_threads(self.threads)
        plan, (data, validation, test) = self.plan(), self.cases()
        watched = searched(self, validation)
        dbn = learn_up_down(run, plan, learn_greedily(run, plan, watched, data.classes), watched)
        bottom_up, chosen = choose(self, dbn, validation)
        schedules = {way: list(schedule) for way, schedule in chosen.items()}
        metrics = metrics_of(judge(self, dbn, test, chosen))
        results = self.results(run, self.setting, metrics, schedules=schedules, validation_bottom_up=bottom_up)
        self.report(run)
        return results

    def sample(self, run: Run, *, steps: int, seed: int) -> Path:
        raise ValueError(f"the pictures of {self.name} are in {run.folder / REPORT}; a run of mnist-joint can be sampled")

    def page(self, run: Run, path: Path) -> Path:
        data, _, test = self.cases()
        dbn, title = learnt_so_far(run, self.plan(), test, data.classes), "A deep belief net of handwritten digits"
        return page(dbn, path, images=test.test_images, labels=test.test_labels, shape=data.image_shape, title=title)

    def report(self, run: Run) -> None:
        data, _, test = self.cases()
        dbn, schedules, rows = learnt_so_far(run, self.plan(), test, data.classes), {}, []
        if run.finished:
            results = run.results()
            schedules = {way: Schedule(*values) for way, values in results["schedules"].items()}
            rows = table_of(results, schedules)
        noisy = {kind: noisy_images(self, test, kind)[:6] for kind in NOISES if kind != "clean"}
        write_run_report(
            run,
            summary="Does a belief net recognise noisy digits better with top-down effects? It was learnt from clean digits, and is told "
            "neither where the noise is nor of which kind",
            sections=sections(run, dbn, data, noisy, schedules, rows),
            headline=(),
        )


def searched(options: MnistDenoise, cases: Split) -> Split:
    """Those of the digits that are looked at under every kind of noise while schedules are chosen."""
    first = slice(50 if options.smoke else options.searched)
    return dataclasses.replace(cases, test_images=cases.test_images[first], test_labels=cases.test_labels[first])


def noisy_images(options: MnistDenoise, cases: Split, kind: str) -> Tensor:
    """The judged digits under a kind of noise, fixed by the seed and by what is judged: (cases, pixels) uint8."""
    how = NOISES[kind]
    seed = derive(options.seed, 10 if cases.name == "validation" else 11) % 2**31
    return cases.test_images if how is None else how(cases.test_images, seed=seed)


@torch.no_grad()
def error_percent(dbn: DBN, images: Tensor, labels: Tensor, schedule: Schedule | None) -> float:
    """Percent of the digits that the free energies of the labels, after such a look, take for another."""
    predicted = []
    for rows in torch.split(images, ROWS):
        state = top_down.init(dbn, rows)
        for bottom_up, weight in schedule.path if schedule is not None else ():
            assert schedule is not None
            state, _ = top_down.step(dbn, state, bottom_up=bottom_up, top_down=weight, robust=schedule.robust, ink=schedule.ink)
        predicted.append(label_free_energy(dbn.top, dbn.part(state.top)).argmin(1))
    return 100 * (torch.cat(predicted) != labels).double().mean().item()


def choose(options: MnistDenoise, dbn: DBN, cases: Split) -> tuple[dict[str, float], dict[str, Schedule]]:
    """Bottom-up errors of the validation digits, by kind of noise, and of each family the best schedule.

    That is the one that cuts the errors under structured noise most, in the mean of relative errors, among those that cost clean digits at
    most `LOSS` points; where there is none, the one that costs least. What a schedule costs is measured on all of the digits, as a few
    tenths of a point are a few in a thousand.
    """
    few = searched(options, cases)
    noisy = {kind: noisy_images(options, few, kind) for kind in STRUCTURED}
    plain = {kind: error_percent(dbn, images, few.test_labels, None) for kind, images in noisy.items()}
    plain["clean"] = error_percent(dbn, cases.test_images, cases.test_labels, None)

    def relative_error(schedule: Schedule) -> float:
        return fmean(error_percent(dbn, images, few.test_labels, schedule) / max(plain[kind], 1e-9) for kind, images in noisy.items())

    found = {}
    for family, schedules in FAMILIES.items():
        excess: dict[Schedule, float] = {}
        for schedule in sorted(schedules[:2] if options.smoke else schedules, key=relative_error):
            cost = error_percent(dbn, cases.test_images, cases.test_labels, schedule) - plain["clean"]
            excess[schedule] = max(cost - LOSS, 0.0)
            if not excess[schedule]:
                break
        found[family] = min(excess, key=lambda schedule: excess[schedule])
    return plain, found


def judge(options: MnistDenoise, dbn: DBN, cases: Split, chosen: Mapping[str, Schedule]) -> Table:
    """The errors of the judged digits, bottom-up alone and by each family's schedule."""
    ways: dict[str, Schedule | None] = {"bottom-up": None, **chosen}
    noisy = {kind: noisy_images(options, cases, kind) for kind in NOISES}
    return {
        way: {kind: error_percent(dbn, images, cases.test_labels, schedule) for kind, images in noisy.items()}
        for way, schedule in ways.items()
    }


def metrics_of(table: Table) -> list[Metric]:
    """The errors, and by how much each family cuts those under structured noise."""
    errors = [(metric(way, kind), error, "%") for way, row in table.items() for kind, error in row.items()]
    cuts = [
        (f"cut_percent_{_words(way)}_{_words(kind)}", 100 * (1 - row[kind] / max(table["bottom-up"][kind], 1e-9)), "%")
        for way, row in table.items()
        if way != "bottom-up"
        for kind in STRUCTURED
    ]
    return errors + cuts


def table_of(results: Mapping[str, Any], schedules: Mapping[str, Schedule]) -> list[dict[str, Any]]:
    """The errors as a report shows them, one row per way of looking."""
    return [
        {
            "way": way,
            **{kind: f"{results['metrics'][metric(way, kind)]['value']:.2f}" for kind in NOISES},
            "schedule": schedules[way].words if way in schedules else "one up-pass",
        }
        for way in ("bottom-up", *schedules)
    ]


def metric(way: str, kind: str) -> str:
    """The name of an error."""
    return f"test_{_words(way)}_error_percent_{_words(kind)}"


def _words(name: str) -> str:
    """A name as a part of a metric's."""
    return name.replace(", ", "_").replace(" ", "_").replace("-", "_")
