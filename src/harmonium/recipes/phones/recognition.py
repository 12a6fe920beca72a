"""Phones recognised from scores of states, by what was chosen for it on the validation speakers, and the errors by speaker."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.files import read_tensors, write_tensors
from harmonium.recipes.phones.mixture_phones import Part
from harmonium.recipes.shared.kept_figure import timed
from harmonium.runs.contract import Metric
from harmonium.runs.folder import Run
from harmonium.sequence import Bigram, PhoneErrors, PhoneHMM, StatePath, decode, phone_errors

WEIGHTS = (1.0, 2.0, 3.0, 5.0, 8.0, 12.0)
PENALTIES = (-8.0, -4.0, 0.0, 4.0, 8.0)
PRIORS = (0.0, 0.3, 0.6, 1.0, 2.0)
GMM = "gmm"
Scores = Callable[[Part], list[Tensor]]
Segments = list[tuple[str, int, int]]  # phone, first frame, end


class Shown(NamedTuple):
    """The recording that is drawn: its id, the phones recognised, and those that were said."""

    id: str
    found: Segments
    said: Segments


class Task(NamedTuple):
    """What all models are judged by: the phones, the language, and the recordings of two parts; of those judged, where the phones are."""

    hmm: PhoneHMM
    counted: Callable[[Sequence[str]], list[str]]
    language: Bigram
    log_priors: Tensor
    validation: Part
    judged: Part
    aligned: list[StatePath]

    def decoded(self, scores: Sequence[Tensor], weight: float, penalty: float, prior: float) -> list[StatePath]:
        """What is recognised.

        Parameters
        ----------
        scores
            Log-likelihoods of the states in each recording, (frames, states).
        weight, penalty
            Of the language, and of each phone.
        prior
            How many times the states' log priors are added to the scores.
        """
        with_priors = [each + prior * self.log_priors for each in scores]
        return decode(self.hmm, with_priors, self.language, weight=weight, penalty=penalty)

    def errors(self, part: Part, paths: Sequence[StatePath]) -> list[PhoneErrors]:
        """Of what was recognised in a part."""
        return phone_errors([self.counted(each) for each in part.transcripts], [self.counted(each.phones) for each in paths])


class Judged(NamedTuple):
    """What a model recognises.

    Attributes
    ----------
    counts : Tensor
        (speakers, 6) int64: substitutions, deletions, insertions, phones said, frames whose likeliest state is the aligned one, frames.
    chosen : dict
        The language's weight, the penalty, how many times log priors are added, and the phone error on the validation speakers, in percent.
    shown : Shown
        Of the recording that is drawn.
    """

    counts: Tensor
    chosen: dict[str, float]
    shown: Shown

    @property
    def errors(self) -> Tensor:
        """(speakers,) of all kinds."""
        return self.counts[:, :3].sum(1)


def judge(run: Run, name: str, task: Task, scores: Scores) -> None:
    """Choose weight and penalty on the validation speakers, recognise the judged ones, and keep what comes out. Done once in a run."""
    path = judged_path(run, name)
    if path.exists():
        return
    with timed(run, f"{name} judged"):
        chosen = choose(task, scores(task.validation))
        found = scores(task.judged)
        paths = task.decoded(found, chosen["weight"], chosen["penalty"], chosen["prior"])
        right = [int(((each + task.log_priors).argmax(1) == ref.states).sum()) for each, ref in zip(found, task.aligned, strict=True)]
    rows = [
        [each.substitutions, each.deletions, each.insertions, each.phones, good, len(ref.states)]
        for each, good, ref in zip(task.errors(task.judged, paths), right, task.aligned, strict=True)
    ]
    speakers = sorted(set(task.judged.speakers))
    owner = torch.tensor([speakers.index(each) for each in task.judged.speakers])
    counts = torch.zeros(len(speakers), 6, dtype=torch.int64).index_add_(0, owner, torch.tensor(rows))
    place = drawn(task.judged)
    header = {"chosen": chosen, "id": task.judged.ids[place], "found": paths[place].segments, "said": task.aligned[place].segments}
    write_tensors(path, {"counts": counts}, header)


def drawn(part: Part) -> int:
    """The number of the recording that is drawn: a short one."""
    order = sorted(range(len(part.features)), key=lambda number: len(part.features[number]))
    return order[len(order) // 4]


def judged_path(run: Run, name: str) -> Path:
    """Where it is kept what a model recognised."""
    return run.checkpoint(f"{name} judged")


def merged(found: Sequence[Judged]) -> Judged:
    """What a model recognised, learnt several times without other speakers: the speakers of all, and the means of what was chosen."""
    chosen = {name: fmean(each.chosen[name] for each in found) for name in found[0].chosen}
    return Judged(torch.cat([each.counts for each in found]), chosen, found[0].shown)


def read(run: Run, name: str) -> Judged:
    """What a model recognised."""
    tensors, header = read_tensors(judged_path(run, name))
    found, said = ([(str(phone), int(start), int(end)) for phone, start, end in header[key]] for key in ("found", "said"))
    return Judged(tensors["counts"], header["chosen"], Shown(header["id"], found, said))


def choose(task: Task, scores: Sequence[Tensor]) -> dict[str, float]:
    """What errs least on the validation speakers, one after another, twice: the language's weight, the penalty of a phone, the priors.

    A net's likelihoods are its posteriors over the states' priors, which are poor estimates where states are seldom seen: to divide by all
    of them costs phones. With the log priors added once these are the posteriors again, and between lies what is best.
    """
    tried: dict[tuple[float, float, float], float] = {}

    def error(weight: float, penalty: float, prior: float) -> float:
        asked = weight, penalty, prior
        if asked not in tried:
            found = task.errors(task.validation, task.decoded(scores, *asked))
            tried[asked] = 100 * sum(each.errors for each in found) / sum(each.phones for each in found)
        return tried[asked]

    weight, penalty, prior = WEIGHTS[0], 0.0, 0.0
    for _ in range(2):
        weight = min(WEIGHTS, key=lambda each: error(each, penalty, prior))
        penalty = min(PENALTIES, key=lambda each: error(weight, each, prior))
        prior = min(PRIORS, key=lambda each: error(weight, penalty, each))
    return {"weight": weight, "penalty": penalty, "prior": prior, "validation_phone_error_percent": error(weight, penalty, prior)}


def ratio(above: Tensor, below: Tensor) -> tuple[float, float]:
    """Σ above / Σ below over speakers in percent, and its standard error over them, to first order."""
    above, below = above.double(), below.double()
    share, speakers = above.sum() / below.sum(), len(above)
    rest = (above - share * below).square().sum() * speakers / max(speakers - 1, 1)
    return 100 * share.item(), 100 * math.sqrt(rest.item()) / below.sum().item()


def best_depth(found: Mapping[str, Judged], kind: str) -> str:
    """The net of a kind, of all depths, that errs least on the validation speakers."""
    of_kind = [name for name in found if name.rpartition(" ")[0] == kind]
    return min(of_kind, key=lambda name: found[name].chosen["validation_phone_error_percent"])


def metrics(found: Mapping[str, Judged], kinds: Sequence[str], part: str) -> list[Metric]:
    """Phone errors and frame accuracies of all nets and of each kind's best, with standard errors over speakers, and differences.

    Parameters
    ----------
    found
        What each model recognised: `GMM`, and the nets as "dnn 2".
    kinds
        Of the nets.
    part
        What the judged speakers are called.
    """
    headline = {GMM: found[GMM]} | {kind: found[best_depth(found, kind)] for kind in kinds}
    rows: list[Metric] = []
    for name, each in {**headline, **{name: each for name, each in found.items() if name != GMM}}.items():
        said, frames = each.counts[:, 3], each.counts[:, 5]
        word = name.replace(" ", "_")
        rows += both(f"{part}_phone_error_percent_{word}", "%", each.errors, said)
        rows += both(f"{part}_frame_accuracy_percent_{word}", "%", each.counts[:, 4], frames)
        rows += [(f"validation_phone_error_percent_{word}", each.chosen["validation_phone_error_percent"], "%")]
    names = list(headline)
    for one, other in [*pairwise(names), (names[0], names[-1])]:
        more = headline[one].errors - headline[other].errors
        rows += both(f"{part}_phone_error_{one}_less_{other}", "percentage points", more, headline[one].counts[:, 3])
        rows += both(f"{part}_phone_error_{one}_less_{other}_relative", "%", more, headline[one].errors)
    return rows


def both(name: str, unit: str, above: Tensor, below: Tensor) -> list[Metric]:
    """A ratio and its standard error."""
    value, error = ratio(above, below)
    return [(name, value, unit), (f"{name}_standard_error", error, unit)]
