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
import itertools
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from harmonium.data import Dataset, noise
from harmonium.models import DBN, label_free_energy
from harmonium.recipes.denoise.pictures import sections
from harmonium.recipes.joint.recipe import MnistJoint, UpDown
from harmonium.recipes.shared.stack import Split
from harmonium.report import write_report
from harmonium.runs.folder import REPORT, Run
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


class Schedule(NamedTuple):
    """How an image is looked at: `steps` from bottom-up alone to (`bottom_up`, `top_down`), then `last` bottom-up ones."""

    steps: int
    bottom_up: float
    top_down: float
    last: int
    robust: float | None = None
    """The share of pixels that are doubted before any is looked at; None for no gate."""
    ink: float = 0.5
    """How probably a pixel of noise is on."""

    @property
    def path(self) -> list[tuple[float, float]]:
        """(bottom-up, top-down) of each step."""
        return [*top_down.linear(self.steps, bottom_up=self.bottom_up, top_down=self.top_down), *[(1.0, 0.0)] * self.last]

    @property
    def words(self) -> str:
        gate = "" if self.robust is None else f", gate {self.robust:g}, ink {self.ink:g}"
        return f"{self.steps} steps to ({self.bottom_up:g}, {self.top_down:g}), then {self.last} bottom-up{gate}"


ENDS = ((0.0, 1.0), (0.3, 0.7), (0.5, 0.5), (0.7, 0.3))
GATES = (
    *((15, *end, 4, robust) for end, robust in itertools.product(((0.0, 1.0), (0.3, 0.7), (1.0, 0.0)), (0.1, 0.3))),
    *((30, 0.0, 1.0, 10, robust) for robust in (0.2, 0.3, 0.4, 0.5)),
)
FAMILIES: dict[str, tuple[Schedule, ...]] = {
    "top-down": tuple(Schedule(steps, *end, last) for steps, end, last in itertools.product((5, 15), ENDS, (0, 4))),
    "gate": tuple(Schedule(*way) for way in GATES),
    "gate, noise is ink": tuple(Schedule(*way, 0.99) for way in GATES),
}


@dataclasses.dataclass(frozen=True)
class MnistDenoise(MnistJoint):
    """Recognition of digits under structured noise, bottom-up alone and with top-down effects; the net is learnt first."""

    up_down: UpDown = UpDown(epochs=60)
    searched: int = 1000
    """Validation digits under each kind of noise that schedules are chosen on; what they cost clean digits is measured on all of them."""

    name: ClassVar[str] = "mnist-denoise"
    paper: ClassVar[str] = "Hinton, tutorial on deep learning, IPAM 2012"
    published: ClassVar[dict[str, str]] = {}
    headline_metrics: ClassVar[tuple[str, ...]] = tuple(
        f"test_{way}_error_percent_{kind}" for kind in ("clean", "block") for way in ("bottom_up", "top_down", "gate", "gate_noise_is_ink")
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.held_out:
            raise ValueError(
                "mnist-denoise always holds the last 10,000 training digits out, to choose its schedules on: leave --held-out alone"
            )
        if self.searched < 1:
            raise ValueError(f"schedules are chosen on at least one digit, found {self.searched}")

    def parts(self) -> tuple[Dataset, Split, Split]:
        """The data set; what the net learns from and the validation digits; and the test digits beside them."""
        data, _ = self.cases()
        images, labels, held, truth = data.hold_out(VALIDATION)
        few, kept = (slice(500), slice(100)) if self.smoke else (slice(None), slice(None))
        validation = Split(images[few], labels[few], held[kept], truth[kept], "validation")
        return data, validation, Split(images[few], labels[few], data.test_images[few], data.test_labels[few], "test")

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: learn the net; choose a schedule of each family on validation digits; judge all on the test digits."""
        torch.set_num_threads(self.threads)
        data, validation, test = self.parts()
        watched = self.few(validation)
        dbn = self.fine_tuned(run, self.greedy(run, data, watched), watched)
        plain, chosen = self.chosen(dbn, validation)
        table = self.table(dbn, test, chosen)
        found: list[tuple[str, float, str]] = []
        for way, errors in table.items():
            found += [(f"test_{_words(way)}_error_percent_{_words(kind)}", error, "%") for kind, error in errors.items()]
        for way, errors in table.items():
            if way in chosen:
                found += [
                    (f"cut_percent_{_words(way)}_{_words(kind)}", 100 * (1 - errors[kind] / max(table["bottom-up"][kind], 1e-9)), "%")
                    for kind in STRUCTURED
                ]
        results = self.results(
            run, self.setting, found, schedules={way: list(each) for way, each in chosen.items()}, validation_bottom_up=plain
        )
        self.report(run)
        return results

    def few(self, cases: Split) -> Split:
        """Those of the digits that are looked at under every kind of noise while schedules are chosen."""
        first = slice(50 if self.smoke else self.searched)
        return dataclasses.replace(cases, test_images=cases.test_images[first], test_labels=cases.test_labels[first])

    def chosen(self, dbn: DBN, cases: Split) -> tuple[dict[str, float], dict[str, Schedule]]:
        """Bottom-up errors of the validation digits, and of each family the schedule that cuts those of structured noise most, in the mean
        of relative errors, among the ones that cost clean digits at most `LOSS` points; where there is none, the one that costs least.
        What a schedule costs is measured on all of the digits, as a few tenths of a point are a few in a thousand."""
        few = self.few(cases)
        noisy = {kind: self.images(few, kind) for kind in STRUCTURED}
        plain = {kind: self.error(dbn, images, few.test_labels, None) for kind, images in noisy.items()}
        plain["clean"] = self.error(dbn, cases.test_images, cases.test_labels, None)
        found = {}
        for family, schedules in FAMILIES.items():
            kept = [
                (
                    fmean(self.error(dbn, images, few.test_labels, schedule) / max(plain[kind], 1e-9) for kind, images in noisy.items()),
                    schedule,
                )
                for schedule in (schedules[:2] if self.smoke else schedules)
            ]
            excess: dict[Schedule, float] = {}
            for _, schedule in sorted(kept, key=lambda pair: pair[0]):
                cost = self.error(dbn, cases.test_images, cases.test_labels, schedule) - plain["clean"]
                excess[schedule] = max(cost - LOSS, 0.0)
                if not excess[schedule]:
                    break
            found[family] = min(excess, key=lambda schedule: excess[schedule])
        return plain, found

    def table(self, dbn: DBN, cases: Split, chosen: dict[str, Schedule]) -> dict[str, dict[str, float]]:
        """Percent of the digits that are taken for another, by way of looking and kind of noise."""
        ways: dict[str, Schedule | None] = {"bottom-up": None, **chosen}
        noisy = {kind: self.images(cases, kind) for kind in NOISES}
        return {
            way: {kind: self.error(dbn, images, cases.test_labels, schedule) for kind, images in noisy.items()}
            for way, schedule in ways.items()
        }

    def images(self, cases: Split, kind: str) -> Tensor:
        """The judged digits under a kind of noise, fixed by the seed and by what is judged: (cases, pixels) uint8."""
        how = NOISES[kind]
        seed = derive(self.seed, 10 if cases.name == "validation" else 11) % 2**31
        return cases.test_images if how is None else how(cases.test_images, seed=seed)

    @torch.no_grad()
    def error(self, dbn: DBN, images: Tensor, labels: Tensor, schedule: Schedule | None) -> float:
        """Percent of the digits that the free energies of the labels, after such a look, take for another."""
        predicted = []
        for rows in torch.split(images, ROWS):
            state = top_down.init(dbn, rows)
            for bottom_up, weight in schedule.path if schedule is not None else ():
                assert schedule is not None
                state, _ = top_down.step(dbn, state, bottom_up=bottom_up, top_down=weight, robust=schedule.robust, ink=schedule.ink)
            predicted.append(label_free_energy(dbn.top, dbn.part(state.top)).argmin(1))
        return 100 * (torch.cat(predicted) != labels).double().mean().item()

    def sample(self, run: Run, *, steps: int, seed: int) -> Path:
        raise ValueError(f"the pictures of {self.name} are in {run.folder / REPORT}; a run of mnist-joint can be sampled")

    def report(self, run: Run) -> None:
        data, _, test = self.parts()
        dbn, results = self.learnt(run, data, test), run.results() if run.finished else None
        facts: dict[str, object] = {"seed": self.seed, "training": f"{run.training_seconds:.0f} s"}
        schedules: dict[str, Schedule] = {}
        rows: Sequence[dict[str, Any]] = ()
        if results is not None:
            facts |= {name: results[name] for name in ("setting", "machine", "commit", "command")}
            schedules = {way: Schedule(*values) for way, values in results["schedules"].items()}
            rows = [
                {
                    "way": way,
                    **{kind: f"{results['metrics'][f'test_{_words(way)}_error_percent_{_words(kind)}']['value']:.2f}" for kind in NOISES},
                    "schedule": schedules[way].words if way in schedules else "one up-pass",
                }
                for way in ("bottom-up", *schedules)
            ]
        few = {kind: self.images(test, kind)[:6] for kind in NOISES if kind != "clean"}
        write_report(
            run.folder / REPORT,
            title=f"{self.name}, seed {self.seed}",
            summary="Does a belief net recognise noisy digits better with top-down effects? It was learnt from clean digits, and is told "
            "neither where the noise is nor of which kind" + ("." if results else "; the run has not finished."),
            sections=sections(run, dbn, data, few, schedules, rows),
            facts=facts,
            settings=run.settings,
        )


def _words(name: str) -> str:
    """A name as a part of a metric's."""
    return name.replace(", ", "_").replace(" ", "_").replace("-", "_")
