"""Features of recordings, the phones of Gaussian mixtures, and the alignment that nets learn from; learnt once in a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from harmonium.data import speech, standardise
from harmonium.data.speech.utterances import Features
from harmonium.files import read_tensors, write_tensors
from harmonium.recipes.phones.heard_speech import Heard, Speech
from harmonium.recipes.shared.kept_figure import timed
from harmonium.runs.folder import Run
from harmonium.sequence import GMMHMM, PAUSE, GaussianMixtures, PhoneHMM, StatePath, align, train_phones

Inputs = Literal["cepstra", "filter bank"]


@dataclasses.dataclass(frozen=True)
class Mixtures:
    """How the phones of Gaussian mixtures are learnt."""

    states: int = 3
    """Of each phone."""
    components: int = 16
    """Gaussians of each state."""
    iterations: int = 4
    """Steps of EM after each division of the Gaussians."""
    first_iterations: int = 10
    """With one Gaussian in each state."""


class Part(NamedTuple):
    """The recordings of a part as features.

    Attributes
    ----------
    features : list of Tensor
        (frames, features) float32 of each, for mixtures.
    inputs : list of Tensor
        (frames, inputs) float32 of each, for nets.
    transcripts : list of list of str
        With "|" where a silence may be.
    speakers, ids : list of str
        Of each recording.
    """

    features: list[Tensor]
    inputs: list[Tensor]
    transcripts: list[list[str]]
    speakers: list[str]
    ids: list[str]


def parts_of(spoken: Speech, states: int, inputs: Inputs) -> tuple[Part, Part, Part]:
    """Cepstra and the energy with their deltas, 39 numbers a frame, and what nets see.

    Recordings with fewer frames than their phones have states are left out.
    """
    train, validation, test = (part_of(part, states, inputs) for part in spoken[:3])
    return train, validation, test


def part_of(part: Sequence[Heard], states: int, inputs: Inputs) -> Part:
    """A part, of recordings."""
    features = by_speaker(part, speech.mfcc)
    seen = features if inputs == "cepstra" else by_speaker(part, speech.filter_bank)
    kept = [
        place
        for place, (each, found) in enumerate(zip(part, features, strict=True))
        if len(found) >= states * sum(phone != PAUSE for phone in each.transcript)
    ]
    return Part(
        [features[place] for place in kept],
        [seen[place] for place in kept],
        [part[place].transcript for place in kept],
        [part[place].speaker for place in kept],
        [part[place].id for place in kept],
    )


def by_speaker(part: Sequence[Heard], of: Features) -> list[Tensor]:
    """The features of each recording: of each speaker, less the mean and over the deviation of all frames.

    What is of a voice and its microphone has a smaller part in them.
    """
    raw = [of(each.samples(), each.rate) for each in part]
    standard = {
        speaker: standardise(
            np.concatenate([found for each, found in zip(part, raw, strict=True) if each.speaker == speaker]), deviation="each"
        )
        for speaker in {each.speaker for each in part}
    }
    return [standard[each.speaker](found) for each, found in zip(part, raw, strict=True)]


def learn_mixtures(run: Run, phase: str, spoken: Speech, train: Part, how: Mixtures) -> GMMHMM:
    """The phones, from a flat start. Read from the run where they are learnt.

    Parameters
    ----------
    run, phase
        The run, whose folder keeps them, and under which name.
    spoken, train
        The corpus, and the part of it that is learnt from.
    how
        The numbers of states, Gaussians and iterations.
    """
    path = run.checkpoint(phase)
    if not path.exists():
        hmm = PhoneHMM.alike(spoken.phones, states=how.states, silence=spoken.silence)
        with timed(run, phase):
            model = train_phones(
                hmm,
                train.features,
                train.transcripts,
                components=how.components,
                iterations=how.iterations,
                first_iterations=how.first_iterations,
            )
        mixtures = model.mixtures
        write_tensors(
            path,
            {"loops": model.hmm.loops, "weights": mixtures.weights, "means": mixtures.means, "variances": mixtures.variances},
            {"phones": spoken.phones, "silence": spoken.silence},
        )
    found, header = read_tensors(path)
    hmm = PhoneHMM(tuple(header["phones"]), found["loops"], header["silence"])
    return GMMHMM(hmm, GaussianMixtures(found["weights"], found["means"], found["variances"]))


def aligned(run: Run, phase: str, model: GMMHMM, part: Part) -> list[StatePath]:
    """Where the phones of a part are, by the mixtures."""
    with timed(run, phase):
        return align(model.hmm, [model.mixtures(each) for each in part.features], part.transcripts)


def targets(paths: Sequence[StatePath]) -> Tensor:
    """(frames,) int64, the state of each frame of all recordings."""
    return torch.cat([each.states for each in paths])
