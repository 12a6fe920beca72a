"""Who is it? The likeliest pair of a photograph and one of a gallery, by a rate-coded RBM of pairs.

Paper: Teh & Hinton, *Rate-coded restricted Boltzmann machines for face recognition*, NIPS 2000 (volume 13, 2001): units of several equal
copies, which stand for rates of firing; an RBM learns pairs of photographs of one person, of people who are not in the gallery; a
photograph is identified as whom it makes the likeliest pair with. The paper's FERET faces cannot be given away. Here the faces are ORL's,
so that no figure compares with the published ones; the order of the methods does. Settings were chosen on ten people who are in no split
(`--choosing`). Ours, times and machine: results/face-pairs.json; what was tried: docs/recipes/face-pairs.md.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from harmonium.files import read_tensors, write_tensors
from harmonium.models import RBM
from harmonium.models.saving import restore
from harmonium.recipes.face_pairs.galleries import Split, error_percent, splits_of
from harmonium.recipes.face_pairs.likeness import Components, likenesses
from harmonium.recipes.face_pairs.machine_of_pairs import Machine, learn, likeness, machine_of_pairs, pairs_to_learn_from, rates
from harmonium.recipes.face_pairs.pictures import sections
from harmonium.recipes.verification.cropped_faces import SHAPE, Faces, load
from harmonium.runs.contract import Metric, Recipe
from harmonium.runs.folder import Run
from harmonium.runs.report_page import write_run_report
from harmonium.seeds import derive

JUDGED = ("pairs", "pairs_non_negative", "correlation", "eigenfaces", "fisherfaces", "differences")
MACHINES = JUDGED[:2]
HALVED = tuple(side // 2 for side in SHAPE)


@dataclasses.dataclass(frozen=True)
class FacePairs(Recipe):
    """People identified by the free energy of pairs of faces, beside correlation, eigenfaces, Fisherfaces and densities of differences."""

    choosing: bool = False
    """Identify the ten people set aside: for choosing settings."""
    data_dir: Path | None = None
    """Where the folder att_faces is, if not in $HARMONIUM_DATA or the cache."""
    quick: bool = False
    """A third of the updates."""
    partitions: int = 1
    """Of the thirty people to judge by, each into three splits."""
    copies: int = 4
    """Moved copies of each photograph to learn from, and as many of its mirror image."""
    machine: Machine = Machine()
    components: Components = Components()

    name: ClassVar[str] = "face-pairs"
    choices: ClassVar[tuple[str, ...]] = ("choosing", "quick")
    paper: ClassVar[str] = "Teh & Hinton 2001"
    published: ClassVar[dict[str, str]] = {}
    headline_metrics: ClassVar[tuple[str, ...]] = tuple(f"test_error_percent_{name}" for name in JUDGED)

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.partitions, self.copies, self.machine.copies, self.machine.hidden, self.machine.updates) < 1:
            raise ValueError(f"there is a partition, a copy, a hidden unit and an update at least, found {self}")

    @property
    def setting(self) -> str:
        """What the records call these options."""
        return "smoke" if self.smoke else ("quick" if self.quick else "full") + (", choosing" if self.choosing else "")

    def plan(self) -> FacePairs:
        """What the options come to."""
        if self.smoke:
            machine = dataclasses.replace(self.machine, hidden=10, updates=10, drawn=20)
            return dataclasses.replace(self, partitions=1, copies=1, machine=machine, components=Components(10, 15, 2))
        fewer = dataclasses.replace(self.machine, updates=self.machine.updates // 3)
        return dataclasses.replace(self, machine=fewer) if self.quick else self

    def faces(self) -> tuple[Faces, list[Split]]:
        """The crops, and who is learnt from and identified in each split."""
        plan = self.plan()
        faces = load(plan.copies, self.seed, self.data_dir)
        return faces, splits_of(faces.people, plan.partitions, self.seed, choosing=self.choosing)

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: in each split the machines of pairs and what they are compared with, judged on people of its own."""
        torch.set_num_threads(self.threads)
        faces, splits = self.faces()
        rows = [judge(run, self.plan(), faces, split, number) for number, split in enumerate(splits)]
        results = self.results(run, self.setting, metrics(rows, "validation" if self.choosing else "test"), rows=rows)
        self.report(run)
        return results

    def report(self, run: Run) -> None:
        """Draws the report of a finished run. ValueError where it has not finished."""
        rows, plan = run.results()["rows"], self.plan()
        faces, splits = self.faces()
        write_run_report(
            run,
            summary=f"People identified by a gallery of one photograph of each, in {len(rows)} splits of people never seen before",
            sections=sections(rows, faces.middle[splits[0].judged], {name: learnt(run, plan, name) for name in MACHINES}, HALVED),
        )


def judge(run: Run, plan: FacePairs, faces: Faces, split: Split, number: int) -> dict[str, float]:
    """The percentages of a split that each way to compare identifies wrongly; read from the run where it is done.

    The machines see means of 2 x 2 pixels, the others every pixel of the crops.

    Parameters
    ----------
    run, plan
        The folder of the run, and what the options come to.
    faces
        All crops.
    split, number
        Who is learnt from and who is judged, and the number of this split.
    """
    path = run.checkpoint(f"split {number} judged")
    if not path.exists():
        judged = split.judged.flatten()
        compared = likenesses(faces.middle[split.learnt.flatten()], faces.middle[judged], plan.components)
        seen = [rates(halved(each), plan.machine.copies) for each in (faces.middle, faces.moved, faces.mirrored)]
        moved, mirrored = (each.reshape(len(faces.people), faces.copies, -1) for each in seen[1:])
        seed = derive(plan.seed, 100, number)
        pairs = pairs_to_learn_from(moved, mirrored, split.learnt, plan.machine.drawn, derive(seed, 0))
        for name in MACHINES:
            rbm = learn(run, phase(number, name), pairs, plan.machine, derive(seed, 1), non_negative=name == MACHINES[1])
            compared[name] = likeness(rbm, seen[0][judged])
        write_tensors(path, {}, {"row": {name: error_percent(compared[name]) for name in JUDGED}})
    return dict(read_tensors(path)[1]["row"])


def halved(crops: Tensor) -> Tensor:
    """(crops, pixels) as means of 2 x 2, again of mean 0 and mean square 1; an odd last column is left out."""
    found = avg_pool2d(crops.reshape(-1, 1, *SHAPE), 2).flatten(1)
    centred = found - found.mean(1, keepdim=True)
    return centred / centred.square().mean(1, keepdim=True).sqrt()


def phase(number: int, name: str) -> str:
    """The name of the phase in which a machine of a split learns."""
    return f"split {number} {name.replace('_', ' ')}"


def learnt(run: Run, plan: FacePairs, name: str) -> RBM:
    """A machine of the first split, as a run has learnt it."""
    rbm = machine_of_pairs(math.prod(HALVED), plan.machine, 0)
    restore(rbm, read_tensors(run.checkpoint(phase(0, name)))[0], "model.")
    return rbm


def metrics(rows: list[dict[str, float]], part: str) -> list[Metric]:
    """Mean errors over the splits with standard errors, and what others err more than the machine of pairs, split by split.

    Parameters
    ----------
    rows
        Percentages wrong by way to compare, one of each split.
    part
        What the names begin with, "test" or "validation".
    """
    found: list[Metric] = []
    for name in JUDGED:
        for words, values in (
            (f"{part}_error_percent_{name}", [row[name] for row in rows]),
            (f"{name}_less_{JUDGED[0]}", [row[name] - row[JUDGED[0]] for row in rows]),
        ):
            if words != f"{JUDGED[0]}_less_{JUDGED[0]}":
                unit = "%" if words.startswith(part) else "percentage points"
                found += [(words, fmean(values), unit), (f"{words}_standard_error", stdev(values) / math.sqrt(len(values)), unit)]
    return found
