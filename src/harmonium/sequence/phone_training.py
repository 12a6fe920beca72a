"""Phones of Gaussian mixtures learnt from utterances and their transcripts: a flat start, EM, and mixtures that grow by splitting."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import reduce
from operator import add
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from harmonium.sequence.alignment import as_frames, check, of_like_length, together
from harmonium.sequence.chains import forward_backward, of_best_path
from harmonium.sequence.mixtures import GaussianMixtures
from harmonium.sequence.phone_hmm import PAUSE, PhoneHMM

SHORTEST, LONGEST = 1e-3, 1 - 1e-3  # probabilities of loops


class GMMHMM(NamedTuple):
    """Phones and the mixtures of their states.

    Attributes
    ----------
    hmm : PhoneHMM
        The phones.
    mixtures : GaussianMixtures
        One for each state. `mixtures(features)` are scores for `align` and `decode`.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> hmm = hm.sequence.PhoneHMM.alike(["a", "b"], states=1)
    >>> hmm, mixtures = hm.sequence.flat_start(hmm, [torch.tensor([[1.0], [2.0], [5.0], [6.0]])], [["a", "b"]])
    >>> mixtures(torch.tensor([[1.0]])).argmax()
    tensor(0)
    """

    hmm: PhoneHMM
    mixtures: GaussianMixtures


class EMStep(NamedTuple):
    """What a step of EM finds.

    Attributes
    ----------
    model : GMMHMM
        The next model.
    log_likelihood : float
        Of the model before the step, in nats a frame.
    counts : Tensor
        (states, components) float64, frames of each component.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> hmm, spoken = hm.sequence.PhoneHMM.alike(["a", "b"], states=1), [torch.tensor([[1.0], [2.0], [5.0], [6.0]])]
    >>> model = hm.sequence.flat_start(hmm, spoken, [["a", "b"]])
    >>> step = hm.sequence.em_step(model, spoken, [["a", "b"]], floor=torch.tensor([0.1]), soft=False)
    >>> step.counts
    tensor([[2.],
            [2.]], dtype=torch.float64)
    """

    model: GMMHMM
    log_likelihood: float
    counts: Tensor


def flat_start(hmm: PhoneHMM, features: Sequence[Tensor], transcripts: Sequence[Sequence[str]], *, floor: float = 0.01) -> GMMHMM:
    """One Gaussian for each state, from utterances that are divided evenly among the states of their phones.

    Silences that may be there are taken to be there at the edges of an utterance, and nowhere else.

    Parameters
    ----------
    hmm : PhoneHMM
        The phones.
    features : sequence of Tensor
        (frames, dims) of each utterance.
    transcripts : sequence of sequence of str
        The phones of each utterance, with "|" where a silence may be.
    floor : float, default 0.01
        The least variance, as a share of that over all frames.

    Returns
    -------
    GMMHMM
        States that no frame is in have the mean and the variance of all frames.

    Raises
    ------
    ValueError
        As for `align`, of which scores are features here.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> hmm = hm.sequence.PhoneHMM.alike(["a", "b"], states=1)
    >>> start = hm.sequence.flat_start(hmm, [torch.tensor([[1.0], [2.0], [5.0], [6.0]])], [["a", "b"]])
    >>> start.mixtures.means.flatten()
    tensor([1.5000, 5.5000])
    """
    features = as_frames(features)
    if not features or {each.shape[1:] for each in features} != {features[0].shape[1:]} or features[0].ndim != 2:
        shapes = ", ".join(str(tuple(each.shape)) for each in features[:5]) or "none"
        raise ValueError(f"expected utterances of (frames, features), all with as many features, found {shapes}")
    seen = torch.cat(features)
    mean, variance = seen.mean(0), variance_of(features).to(seen)
    shape = (hmm.count, 1, seen.shape[1])
    start = GaussianMixtures(seen.new_ones(shape[:2]), mean.expand(shape), variance.expand(shape))
    check(hmm, [start(each) for each in features], transcripts)
    found = reduce(
        add, (start.statistics(*divided(hmm, [(features[i], transcripts[i]) for i in batch])) for batch in of_like_length(features))
    )
    return GMMHMM(hmm, start.learnt(found, floor * variance))


def divided(hmm: PhoneHMM, utterances: Sequence[tuple[Tensor, Sequence[str]]]) -> tuple[Tensor, Tensor]:
    """The frames of utterances, (frames, dims), and (frames, states), 1 for the state that each is in by even division."""
    states = torch.cat([evenly(hmm, len(features), transcript) for features, transcript in utterances])
    return torch.cat([features for features, _ in utterances]), one_hot(states, hmm.count)


def variance_of(features: Sequence[Tensor]) -> Tensor:
    """(dims,) float64, of each feature over all frames. One that never varies has a variance above 0 even so."""
    return torch.cat(list(features)).double().var(0, correction=0).clamp_min(torch.finfo(torch.float32).tiny)


def evenly(hmm: PhoneHMM, frames: int, transcript: Sequence[str]) -> Tensor:
    """(frames,) int64: the states of a transcript's phones, an equal part of the frames each."""
    last = len(transcript) - 1
    kept = [phone for place, phone in enumerate(transcript) if phone != PAUSE or place in (0, last)]
    if frames < len(kept) * hmm.states:  # too short for silences as well
        kept = [phone for phone in kept if phone != PAUSE]
    phones = torch.tensor([hmm.phones.index((hmm.silence or "") if phone == PAUSE else phone) for phone in kept])
    states = (phones[:, None] * hmm.states + torch.arange(hmm.states)).flatten()
    return states[torch.arange(frames) * len(states) // frames]


def em_step(model: GMMHMM, features: Sequence[Tensor], transcripts: Sequence[Sequence[str]], *, floor: Tensor, soft: bool = True) -> EMStep:
    """One step of EM: every frame is shared out among states and components, which are then learnt anew, and so are the loops.

    Parameters
    ----------
    model : GMMHMM
        The present model.
    features, transcripts
        As for `flat_start`.
    floor : Tensor
        (dims,), the least variance.
    soft : bool, default True
        Share out over all paths (Baum & Welch), or along the best one (Viterbi training).

    Returns
    -------
    EMStep
        The next model. With `soft` its log-likelihood is not lower, and otherwise that of its best paths.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> hmm, spoken = hm.sequence.PhoneHMM.alike(["a", "b"], states=1), [torch.tensor([[1.0], [2.0], [5.0], [6.0]])]
    >>> model, found = hm.sequence.flat_start(hmm, spoken, [["a", "b"]]), []
    >>> for _ in range(3):
    ...     model, log_likelihood, _ = hm.sequence.em_step(model, spoken, [["a", "b"]], floor=torch.tensor([0.1]))
    ...     found.append(log_likelihood)
    >>> found == sorted(found)
    True
    """
    hmm, mixtures = model
    statistics, loops, occupied = None, torch.zeros(hmm.count, dtype=torch.float64), torch.zeros(hmm.count, dtype=torch.float64)
    total = 0.0
    for batch in of_like_length(features):
        chains, (scores, lengths) = hmm.chains([transcripts[i] for i in batch]), together([mixtures(features[i]) for i in batch])
        found = (forward_backward if soft else of_best_path)(chains, scores, lengths)
        total += found.log_likelihood.sum().item()
        columns = chains.states[:, None].expand(-1, scores.shape[1], -1)
        by_state = torch.zeros(scores.shape, dtype=torch.float64).scatter_add(2, columns, found.occupancy)
        loops.index_add_(0, chains.states.flatten(), found.loops.flatten())
        occupied += by_state.sum((0, 1))
        inside = torch.cat([each[:length] for each, length in zip(by_state, lengths.tolist(), strict=True)])
        more = mixtures.statistics(torch.cat([features[i] for i in batch]), inside)
        statistics = more if statistics is None else statistics + more
    assert statistics is not None
    stay = torch.where(occupied > 0, loops / occupied.clamp_min(1e-300), hmm.loops.flatten()).clamp(SHORTEST, LONGEST)
    after = dataclasses.replace(hmm, loops=stay.reshape(hmm.loops.shape))
    frames = sum(map(len, features))
    return EMStep(GMMHMM(after, mixtures.learnt(statistics, floor)), total / frames, statistics.counts)


def train_phones(
    hmm: PhoneHMM,
    features: Sequence[Tensor],
    transcripts: Sequence[Sequence[str]],
    *,
    components: int = 8,
    iterations: int = 4,
    first_iterations: int = 8,
    soft: bool = True,
    floor: float = 0.01,
    after: Callable[[int, float], object] | None = None,
) -> GMMHMM:
    """Learn phones from a flat start, with one Gaussian for each state at first, then two, four, and so on.

    Parameters
    ----------
    hmm : PhoneHMM
        The phones, and their loops to begin with.
    features : sequence of Tensor
        (frames, dims) of each utterance.
    transcripts : sequence of sequence of str
        The phones of each utterance, with "|" where a silence may be.
    components : int, default 8
        Gaussians of each state in the end, a power of two. Those with few frames are not divided.
    iterations : int, default 4
        Steps of EM after each division.
    first_iterations : int, default 8
        Steps with one Gaussian, in which the phones find their places.
    soft : bool, default True
        As for `em_step`. Viterbi training ends in poorer optima.
    floor : float, default 0.01
        The least variance, as a share of that over all frames.
    after : callable, optional
        Called after each step with the number of components and the log-likelihood in nats a frame.

    Returns
    -------
    GMMHMM
        The phones with their loops, and the mixtures.

    Raises
    ------
    ValueError
        For components that are no power of two, and as for `align`, of which scores are features here.

    Notes
    -----
    Mixtures that grow by splitting are those of the HTK book (Young et al. 2006, section 10.6).

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> hmm = hm.sequence.PhoneHMM.alike(["a", "b"], states=1)
    >>> spoken = [torch.tensor([[0.0], [0.1], [0.0], [3.0], [3.1]]), torch.tensor([[0.1], [3.0], [2.9], [3.1]])]
    >>> model = hm.sequence.train_phones(hmm, spoken, [["a", "b"], ["a", "b"]], components=1)
    >>> hm.sequence.align(model.hmm, [model.mixtures(spoken[1])], [["a", "b"]])[0].states
    tensor([0, 1, 1, 1])
    """
    if components < 1 or components & (components - 1):
        raise ValueError(f"mixtures grow by splitting to a power of two, found components={components}")
    features = as_frames(features)
    model = flat_start(hmm, features, transcripts, floor=floor)
    least = floor * variance_of(features)
    while True:
        size = model.mixtures.weights.shape[1]
        for _ in range(first_iterations if size == 1 else iterations):
            model, log_likelihood, counts = em_step(model, features, transcripts, floor=least, soft=soft)
            if after is not None:
                after(size, log_likelihood)
        if size == components:
            return model
        model = GMMHMM(model.hmm, model.mixtures.split(counts))
