"""The five models of music, each learnt and judged on the same frames: the log-probability of a frame given those before it."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from harmonium.couplings import Conditional, Dense
from harmonium.files import read_tensors, write_tensors
from harmonium.learning import ContrastiveDivergence, PersistentCD, fine_tune, fit
from harmonium.learning.advice import Advice
from harmonium.likelihood import evaluate, log_likelihood
from harmonium.models import RBM
from harmonium.recipes.music.logistic_autoregression import fit_logistic, with_past
from harmonium.recipes.music.recurrent_rbm import RecurrentRBM, chunks, mean_difference
from harmonium.recipes.music.stepwise_nats import nats_by_step, steps_of
from harmonium.runs.folder import Run
from harmonium.seeds import derive
from harmonium.units import Bernoulli, Given

MODELS = ("independent", "logistic", "rbm", "crbm", "rnn_rbm")
EXACT = ("exact", "log Z of every frame is a sum over all hidden states")
NO_Z = ("exact", "the model has no log Z to estimate")


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Of the models, and how long they learn."""

    rbm_hidden: int = 100
    """Of the RBM of single frames, whose one log Z is estimated."""
    hidden: int = 14
    """Of the conditional machines, whose log Z is exact for each frame."""
    recurrent: int = 100
    """Units of the recurrent net."""
    pasts: tuple[int, ...] = (1, 4, 8)
    """Frames that logistic autoregression sees; the last but one is what the conditional RBM sees."""
    penalties: tuple[float, ...] = (1e-4, 3e-4, 1e-3)
    rbm_updates: int = 6000
    crbm_updates: int = 10_000
    updates: int = 6000
    """Of the RNN-RBM."""
    learning_rate: float = 0.003
    """Of the RNN-RBM, by Adam, falling to zero."""
    cd_steps: int = 5
    chunk: int = 64
    """Frames of the stretches that the recurrent net learns from, 16 at a time."""
    betas: int = 1000
    sweeps: int = 500
    chains: int = 100


class Parts(NamedTuple):
    """Pieces, (time, notes) each, and which of all frames of the judged ones are judged."""

    learnt: list[Tensor]
    validation: list[Tensor]
    test: list[Tensor]
    judged: Tensor

    @property
    def frames(self) -> Tensor:
        """The judged frames, (steps, notes)."""
        return torch.cat(self.test)[self.judged].float()

    def rates(self) -> Tensor:
        """How often each note sounds in what is learnt from, with one frame of sound and one of silence added."""
        seen = torch.cat(self.learnt)
        return (seen.float().sum(0) + 1) / (len(seen) + 2)


def judged_path(run: Run, where: str, model: str) -> Any:
    """Where the log-probabilities of a model are kept."""
    return run.checkpoint(f"{where} {model} judged")


def judge(run: Run, where: str, parts: Parts, sizes: Sizes, seed: int) -> dict[str, tuple[Tensor, tuple[str, str]]]:
    """The log-probability of each judged frame by each model, (steps,), with its verdict. What the run has is not done again."""
    ways: dict[str, Callable[[], tuple[Tensor, tuple[str, str]]]] = {
        "independent": lambda: (independent(parts), NO_Z),
        "logistic": lambda: (logistic(parts, sizes), NO_Z),
        "rbm": lambda: rbm_of_frames(run, where, parts, sizes, derive(seed, 1)),
        "crbm": lambda: (crbm(run, where, parts, sizes, derive(seed, 2)), EXACT),
        "rnn_rbm": lambda: (rnn_rbm(run, where, parts, sizes, derive(seed, 3)), EXACT),
    }
    found = {}
    for model, way in ways.items():
        path = judged_path(run, where, model)
        if not path.exists():
            nats, verdict = way()
            write_tensors(path, {"nats": nats}, {"verdict": verdict})
        tensors, header = read_tensors(path)
        found[model] = (tensors["nats"], tuple(header["verdict"]))
    return found


def independent(parts: Parts) -> Tensor:
    """By the base rates of the notes."""
    rates = parts.rates()
    return (parts.frames * rates.log() + (1 - parts.frames) * torch.log1p(-rates)).sum(1).double()


def logistic(parts: Parts, sizes: Sizes) -> Tensor:
    """By logistic autoregression, of the past and the penalty that give the validation frames most."""
    best, found = -math.inf, None
    held = torch.cat(parts.validation)
    for past in sizes.pasts:
        for penalty in sizes.penalties:
            model = fit_logistic(parts.learnt, past, penalty)
            nats = model.nats(held, torch.cat([with_past(piece, past) for piece in parts.validation])).mean().item()
            if nats > best:
                best, found = nats, model
    assert found is not None
    return found.nats(parts.frames, steps_of(parts.test, lambda piece: with_past(piece, found.past), parts.judged))


def rbm_of_frames(run: Run, where: str, parts: Parts, sizes: Sizes, seed: int) -> tuple[Tensor, tuple[str, str]]:
    """By an RBM of single frames, which knows nothing of the past. The lowest estimate counts."""
    seen = torch.cat(parts.learnt)
    rbm = RBM(Bernoulli(seen.shape[1]), Bernoulli(sizes.rbm_hidden), seed=derive(seed, 0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Advice)  # of units that came to nothing, in a short run
        fit(
            rbm,
            seen,
            negative=PersistentCD(chains=100),
            updates=sizes.rbm_updates,
            precision=run.precision,
            seed=derive(seed, 1),
            callbacks=run.callbacks(f"{where} RBM"),
            checkpoint=run.checkpoint(f"{where} RBM"),
            progress=False,
        )
    found = evaluate(
        rbm, parts.frames, betas=sizes.betas, sweeps=sizes.sweeps, chains=sizes.chains, exact=False, seed=derive(seed, 2), progress=True
    )
    nats = log_likelihood(rbm, parts.frames, log_z=found.nats + found.log_z - found.cautious.nats)
    return nats.double(), (found.verdict, found.trust)


def crbm(run: Run, where: str, parts: Parts, sizes: Sizes, seed: int) -> Tensor:
    """By a conditional RBM, whose biases are linear in the last frames."""
    past, seen = sizes.pasts[-2] if len(sizes.pasts) > 1 else sizes.pasts[0], torch.cat(parts.learnt)
    notes = seen.shape[1]
    contexts = torch.cat([with_past(piece, past) for piece in parts.learnt]).float()
    rbm = RBM(Bernoulli(notes), Bernoulli(sizes.hidden), Conditional(Dense(notes, sizes.hidden, seed=derive(seed, 0)), past * notes))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Advice)
        fit(
            rbm,
            seen,
            given=Given(context=contexts),
            negative=ContrastiveDivergence(steps=sizes.cd_steps),
            updates=sizes.crbm_updates,
            optimizer=partial(torch.optim.Adam, lr=sizes.learning_rate),
            schedule=falling(math.ceil(sizes.crbm_updates / math.ceil(len(seen) / 100))),
            precision=run.precision,
            seed=derive(seed, 1),
            callbacks=run.callbacks(f"{where} conditional RBM"),
            checkpoint=run.checkpoint(f"{where} conditional RBM"),
            progress=False,
        )
    return nats_by_step(rbm, parts.frames, steps_of(parts.test, lambda piece: with_past(piece, past), parts.judged))


def rnn_rbm(run: Run, where: str, parts: Parts, sizes: Sizes, seed: int) -> Tensor:
    """By an RBM whose biases a recurrent net makes from all frames before."""
    net = recurrent(parts, sizes, seed)
    frames, weights = chunks(parts.learnt, sizes.chunk)
    epochs = max(round(sizes.updates / math.ceil(len(frames) / 16)), 1)
    fine_tune(
        net,
        frames,
        weights,
        loss=mean_difference,
        epochs=epochs,
        batch_size=16,
        optimizer=partial(torch.optim.Adam, lr=sizes.learning_rate),
        schedule=falling(epochs),
        precision=run.precision,
        seed=derive(seed, 1),
        callbacks=run.callbacks(f"{where} RNN-RBM"),
        checkpoint=run.checkpoint(f"{where} RNN-RBM"),
        progress=False,
    )
    with torch.no_grad():
        contexts = steps_of(parts.test, lambda piece: net.contexts(piece[None])[0], parts.judged)
    return nats_by_step(net.rbm, parts.frames, contexts)


def recurrent(parts: Parts, sizes: Sizes, seed: int) -> RecurrentRBM:
    """The RNN-RBM before learning: its visible biases are those of the base rates."""
    net = RecurrentRBM(parts.learnt[0].shape[1], sizes.hidden, sizes.recurrent, steps=sizes.cd_steps, seed=derive(seed, 0))
    with torch.no_grad():
        net.rbm.visible.get_parameter("bias").copy_(torch.logit(parts.rates()))
    return net


def falling(epochs: int) -> Callable[[torch.optim.Optimizer], torch.optim.lr_scheduler.LRScheduler]:
    """A rate that falls to zero linearly."""
    return partial(torch.optim.lr_scheduler.LinearLR, start_factor=1.0, end_factor=1.0 / epochs, total_iters=max(epochs - 1, 1))
