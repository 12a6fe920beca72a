"""One person or two? Siamese nets of rectified and of binary features on pairs of faces, beside eigenfaces, pixels and a metric.

Paper: Nair & Hinton, ICML 2010: on Labeled Faces in the Wild, whose images are not free to copy, a siamese net of one layer of noisy
rectified features without biases has 80.73 % right, one of binary features 77.77 %. Here the faces are ORL's forty people, so that no
figure compares with the published ones. The net's features are learnt as an RBM without labels from the people of a fold, and tuned on
pairs of them; it is judged on pairs of three people that it has never seen. Settings were chosen on ten people who are in no fold
(`--choosing`). Ours, times and machine: results/face-verification.json; what was tried:
docs/recipes/face-verification.md.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, ClassVar, Literal

import torch
from sklearn.decomposition import PCA
from torch import nn

from harmonium.data import standardise
from harmonium.files import read_tensors, write_tensors
from harmonium.learning import MomentumSGD, Schedule, fine_tune, fit, predict
from harmonium.models import RBM
from harmonium.nets import siamese
from harmonium.recipes.shared.run_phase import in_run
from harmonium.recipes.verification.cropped_faces import Faces, Fold, folds_of, load, some, standing
from harmonium.recipes.verification.learnt_metric import Convolutions, closeness, learn_metric
from harmonium.recipes.verification.pictures import sections
from harmonium.recipes.verification.right_pairs import (
    CONTRASTS,
    at_contrasts,
    by_cosine,
    by_threshold,
    cosines,
    features_of,
    percent_right,
    right_at_contrasts,
    threshold,
)
from harmonium.runs.contract import Metric, Recipe
from harmonium.runs.folder import Run
from harmonium.runs.report_page import write_run_report
from harmonium.seeds import derive
from harmonium.units import Bernoulli, Gaussian, NoisyReLU

NETS = ("rectified", "rectified_biased", "binary")
JUDGED = ("rectified", "binary", "convolutional", "eigenfaces", "pixels", "rectified_untuned", "binary_untuned", "rectified_biased")


@dataclasses.dataclass(frozen=True)
class Tuned:
    """How the net of one kind of features sees faces, and how it is tuned."""

    mean: Literal["pixel", "image"]
    """What faces lose beside their own mean: that of each pixel over those learnt from, or nothing more."""
    rate: float
    """Learning rate of backpropagation, at first."""
    weight_cost: float
    """Of backpropagation."""


@dataclasses.dataclass(frozen=True)
class FaceVerification(Recipe):
    """Siamese nets of rectified features without biases and of binary ones, on pairs of faces of people never seen before."""

    choosing: bool = False
    """Judge on the ten people set aside, having learnt from the thirty others: for choosing settings."""
    data_dir: Path | None = None
    """Where the folder att_faces is, if not in $HARMONIUM_DATA or the cache."""
    folds: int = 10
    """Of the thirty people to judge by."""
    copies: int = 8
    """Moved copies of each photograph to learn from, and as many of its mirror image."""
    pairs: int = 20_000
    """Of copies, drawn at random in each fold, to learn from."""
    eigenfaces: int = 250
    """Principal components of the faces learnt from."""
    units: int = 400
    """Hidden units, of either kind."""
    epochs: int = 10
    """Of learning the features as an RBM, without labels."""
    tuning_epochs: int = 8
    """Of backpropagation on the pairs, whose learning rate falls to zero."""
    rectified: Tuned = Tuned(mean="pixel", rate=0.003, weight_cost=0.01)
    binary: Tuned = Tuned(mean="image", rate=0.03, weight_cost=0.0)
    convolutional: Convolutions = Convolutions()

    name: ClassVar[str] = "face-verification"
    choices: ClassVar[tuple[str, ...]] = ("choosing",)
    paper: ClassVar[str] = "Nair & Hinton 2010"
    published: ClassVar[dict[str, str]] = {
        "test_accuracy_percent_rectified": "80.73 (on LFW)",
        "test_accuracy_percent_binary": "77.77 (on LFW)",
    }
    headline_metrics: ClassVar[tuple[str, ...]] = tuple(f"test_accuracy_percent_{name}" for name in JUDGED[:5])

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 2 <= self.folds <= 15 or self.copies < 1 or self.pairs < 1:
            raise ValueError(f"thirty people make 2 to 15 folds, and there is a copy and a pair, found {self}")

    @property
    def setting(self) -> str:
        return "smoke" if self.smoke else "choosing" if self.choosing else "full"

    def plan(self) -> FaceVerification:
        """What the options come to."""
        return (
            dataclasses.replace(
                self, folds=2, copies=1, pairs=500, units=10, epochs=1, tuning_epochs=1, eigenfaces=5, convolutional=Convolutions(epochs=1)
            )
            if self.smoke
            else self
        )

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: in each fold the features, the nets and what they are compared with, judged on people of its own."""
        torch.set_num_threads(self.threads)
        plan, faces = self.plan(), load(self.plan().copies, self.seed, self.data_dir)
        folds = folds_of(faces, plan.folds, plan.seed, choosing=self.choosing)
        rows = [judge(run, plan, faces, fold, number) for number, fold in enumerate(folds)]
        results = self.results(run, self.setting, metrics(rows, "validation" if self.choosing else "test"), rows=rows)
        self.report(run)
        return results

    def report(self, run: Run) -> None:
        """Draws the report of a finished run. ValueError where it has not finished."""
        rows, plan = run.results()["rows"], self.plan()
        faces = load(plan.copies, self.seed, self.data_dir)
        fold = folds_of(faces, plan.folds, plan.seed, choosing=self.choosing)[0]
        weights = {name: read_tensors(run.checkpoint(f"fold 0 {name} features"))[0]["model.coupling.weight"] for name in NETS}
        write_run_report(
            run,
            summary=f"Nets that say whether two photographs are of one person, judged in {len(rows)} folds on people never seen before",
            sections=sections(rows, faces.middle[fold.test.images], fold.test.same, weights),
        )


def metrics(rows: Sequence[Mapping[str, Any]], judged_on: str) -> list[Metric]:
    """Means over the folds with standard errors: of the percentages right, also at other contrasts, and how far a probability moves there.

    Parameters
    ----------
    rows
        Of `judge`, one for each fold.
    judged_on
        What the names begin with: "test", or "validation" of the people by whom settings are chosen.
    """
    found: list[Metric] = []
    for name in JUDGED:
        values = [row[name] for row in rows]
        found.append((f"{judged_on}_accuracy_percent_{name}", fmean(values), "%"))
        if len(values) > 1:
            found.append((f"{judged_on}_accuracy_standard_error_{name}", stdev(values) / math.sqrt(len(values)), "%"))
    for name in NETS:
        right = zip(*(row["at_contrasts"][name] for row in rows), strict=True)
        found += [
            (f"{judged_on}_accuracy_percent_{name}_at_contrast_{factor:g}", fmean(each), "%")
            for factor, each in zip(CONTRASTS, right, strict=True)
        ]
        found.append((f"largest_change_of_probability_{name}", max(row["changes"][name] for row in rows), "probability"))
    return found


def judge(run: Run, plan: FaceVerification, faces: Faces, fold: Fold, number: int) -> dict[str, Any]:
    """The percentages right on the test pairs of a fold; read from the run where it is done.

    Parameters
    ----------
    run, plan
        The folder of the run, and what the options come to.
    faces
        All crops, each of mean 0 and mean square 1.
    fold, number
        The pairs to learn from and to be judged on, and the number of this fold.

    Returns
    -------
    dict
        By the names in `JUDGED`; and under "at_contrasts" and "changes" what `right_at_contrasts` finds of each net.
    """
    path = run.checkpoint(f"fold {number} judged")
    if not path.exists():
        chosen = torch.unique(fold.train.images)
        learnt = faces.middle[chosen]
        found: dict[str, Any] = {"pixels": by_cosine(faces.middle, fold), "at_contrasts": {}, "changes": {}}
        components = PCA(plan.eigenfaces, svd_solver="full").fit(learnt.numpy())
        found["eigenfaces"] = by_cosine(torch.from_numpy(components.transform(faces.middle.numpy())), fold)
        for name in NETS:
            settings = plan.binary if name == "binary" else plan.rectified
            standard = standardise(learnt, mean=settings.mean)
            seen = Faces(standard(faces.middle), standard(faces.moved), standard(faces.mirrored), faces.people)
            net = siamese(learn_features(run, plan, seen, fold, name, number), biases=name != "rectified")
            found[f"{name}_untuned"] = by_cosine(features_of(net, seen.middle), fold)
            found[name] = tune(run, plan, seen, fold, name, settings, net, number)
            said = at_contrasts(net, seen.middle, fold.test)
            found["at_contrasts"][name], found["changes"][name] = right_at_contrasts(said, fold.test)
        found["convolutional"] = by_metric(run, plan, faces, fold, number)
        write_tensors(path, {}, {"row": found})
    return dict(read_tensors(path)[1]["row"])


def learn_features(run: Run, plan: FaceVerification, faces: Faces, fold: Fold, name: str, number: int) -> RBM:
    """The RBM of a fold, learnt without labels from copies of its people.

    Parameters
    ----------
    run, plan
        The folder of the run, and how features learn.
    faces, fold
        The faces as these features see them, and whose copies are learnt from.
    name, number
        One of `NETS`, of which "rectified" has no biases, and the number of the fold.
    """
    hidden = Bernoulli(plan.units) if name == "binary" else NoisyReLU(plan.units)
    rbm = RBM(Gaussian(faces.middle.shape[1], variance=1.0), hidden, seed=derive(plan.seed, number, 1))
    if name == "rectified":
        rbm.hidden.get_parameter("bias").requires_grad_(False)
    phase, chosen = f"fold {number} {name} features", torch.unique(fold.copies.images)
    in_run(run, phase, fit)(
        rbm,
        torch.cat([faces.moved[chosen], faces.mirrored[chosen]]),
        epochs=plan.epochs,
        batch_size=50,
        seed=derive(plan.seed, number, 2),
    )
    return rbm


def tune(run: Run, plan: FaceVerification, faces: Faces, fold: Fold, name: str, settings: Tuned, net: nn.Sequential, number: int) -> float:
    """Backpropagation on the pairs of copies, from the threshold that suits the features as they are; the percentage right on the test.

    Parameters
    ----------
    run, plan
        The folder of the run, and how nets learn.
    faces, fold
        The faces as these features see them, and the pairs.
    name, settings
        One of `NETS`, and its rate and weight cost.
    net
        The net, which learns in place.
    number
        Of the fold.
    """
    slope, offset = threshold(cosines(features_of(net, faces.middle), fold.train), fold.train)
    with torch.no_grad():
        net[-1].get_parameter("weight").fill_(slope)
        net[-1].get_parameter("bias").fill_(offset)
    phase, pairs = f"fold {number} {name} net", some(fold.copies, plan.pairs, derive(plan.seed, number, 5))
    in_run(run, phase, fine_tune)(
        net,
        standing(pairs, faces.moved, faces.mirrored, derive(plan.seed, number, 3)),
        pairs.same,
        epochs=plan.tuning_epochs,
        head_epochs=0,
        batch_size=50,
        optimizer=partial(MomentumSGD, lr=settings.rate, momentum=0.9),
        schedule=partial(Schedule, lr=lambda epoch: 1 - epoch / plan.tuning_epochs),
        weight_cost=settings.weight_cost,
        seed=derive(plan.seed, number, 4),
    )
    said = predict(net, faces.middle[fold.test.images]).argmax(1)
    return percent_right(said, fold.test)


def by_metric(run: Run, plan: FaceVerification, faces: Faces, fold: Fold, number: int) -> float:
    """The same of the distance that a siamese convolutional net learns from the pairs of copies.

    Parameters
    ----------
    run, plan
        The folder of the run, and how the net learns.
    faces, fold, number
        All faces, the pairs, and the number of the fold.
    """
    pairs = some(fold.copies, plan.pairs, derive(plan.seed, number, 5))
    shown = standing(pairs, faces.moved, faces.mirrored, derive(plan.seed, number, 3))
    net = learn_metric(run, f"fold {number} convolutional net", shown, pairs.same, plan.convolutional, derive(plan.seed, number, 6))
    return by_threshold(closeness(net, faces.middle, fold.train), closeness(net, faces.middle, fold.test), fold)
