"""Sequences that go on: frames generated one after the other by a machine whose context is the frames before."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor

from harmonium.data.tables import as_tensor
from harmonium.models import RBM
from harmonium.sampling.gibbs import GibbsState, step
from harmonium.units import Given


@torch.no_grad()
def continue_sequence(
    model: RBM,
    past: Any,
    frames: int,
    *,
    continuations: int | None = None,
    steps: int = 30,
    values: Literal["sample", "mean"] = "sample",
    generator: torch.Generator,
) -> Tensor:
    """Generate the next frames of sequences with a conditional RBM.

    For each new frame a Gibbs chain starts at the frame before it and takes some steps, with the last frames as its context. The result
    becomes part of the context of the frames after it.

    Parameters
    ----------
    model : RBM
        A machine with a `Conditional` coupling whose context is `count` past frames, oldest first, as `hm.data.past_frames` makes it.
    past : Tensor or array
        The beginning of one sequence, (time, *visible.shape), or of several of one length, (sequences, time, *visible.shape): at least
        `count` frames, of which the last ones are used.
    frames : int
        The number of new frames.
    continuations : int, optional
        This many independent continuations of one sequence.
    steps : int, default 30
        Steps of Gibbs sampling per frame.
    values : {"sample", "mean"}, default "sample"
        Whether a frame is a draw from the visible units, or their mean given the last hidden states. Means leave out the visible units' own
        noise, which makes motion smoother. They are no states of binary units.
    generator : torch.Generator
        The source of all draws.

    Returns
    -------
    Tensor
        (frames, *visible.shape), with an axis of sequences or continuations before it if there are several. The past is not repeated.

    Raises
    ------
    TypeError
        For a model that is no RBM with a conditional coupling.
    ValueError
        For a past that is too short, of another shape or outside the units' support, for a context that is no whole number of frames, for
        several sequences with `continuations`, and for fewer than one frame, step or continuation.
    FloatingPointError
        If the frames grow beyond all bounds.

    Notes
    -----
    Taylor, Hinton & Roweis, "Modeling human motion using binary latent variables", NIPS 2006. The process is stable if the data that the
    machine learned from are long enough to determine its autoregressive weights. Standardise real-valued frames.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> wave = torch.sin(torch.arange(200) * 0.3)[:, None] * torch.ones(3)
    >>> frames, contexts = hm.data.past_frames(wave, 2)
    >>> rbm = hm.RBM(hm.Gaussian(3), hm.Bernoulli(5), hm.Conditional(hm.Dense(3, 5), 6))
    >>> state = hm.fit(rbm, frames, given=hm.Given(context=contexts), epochs=5, progress=False)
    >>> generator = torch.Generator().manual_seed(0)
    >>> hm.sampling.continue_sequence(rbm, wave[:10], 20, continuations=4, generator=generator).shape
    torch.Size([4, 20, 3])
    """
    count = _frames_of_context(model)
    if frames < 1 or steps < 1 or (continuations is not None and continuations < 1):
        raise ValueError(
            f"expected at least one frame, step and continuation, found frames={frames}, steps={steps}, continuations={continuations}"
        )
    if values not in ("sample", "mean"):
        raise ValueError(f'values must be "sample" or "mean", found {values!r}')
    window, single = _window(model, past, count, continuations)
    v, made = window[:, -1], []
    for _ in range(frames):
        state = GibbsState(v, Given(context=window.reshape(len(window), *_context_shape(model))))
        for _ in range(steps):
            state, info = step(model, state, generator=generator)
        v = state.v if values == "sample" else info.visible_mean
        window = torch.cat([window[:, 1:], v[:, None]], dim=1)
        made.append(v)
    found = torch.stack(made, dim=1)
    if not bool(torch.isfinite(found).all()):
        raise FloatingPointError(
            "the frames grew beyond all bounds, because the autoregressive weights amplify them: standardise the frames, and learn longer, "
            "from more of them, or with a weight_cost"
        )
    return found[0] if single else found


def _context_shape(model: RBM) -> tuple[int, ...]:
    found: tuple[int, ...] = model.coupling.context  # type: ignore[assignment]
    return found


def _frames_of_context(model: RBM) -> int:
    """The number of frames in a context."""
    if not isinstance(model, RBM) or not hasattr(model.coupling, "context"):
        found = type(model.coupling).__name__ + " coupling" if isinstance(model, RBM) else type(model).__name__
        raise TypeError(f"a sequence goes on by an RBM with a conditional coupling, hm.Conditional(..., context), found a {found}")
    context, frame = math.prod(_context_shape(model)), math.prod(model.visible.shape)
    if context % frame:
        raise ValueError(
            f"the context of {context} numbers is no whole number of frames of {frame}: expected the frames before, as "
            "hm.data.past_frames gives them"
        )
    return context // frame


def _window(model: RBM, past: Any, count: int, continuations: int | None) -> tuple[Tensor, bool]:
    """The last frames, (sequences, count, *visible.shape), and whether one sequence without an axis of its own is meant."""
    rows, shape = as_tensor(past), model.visible.shape
    single = rows.dim() == len(shape) + 1
    if (rows.dim() != len(shape) + 2 and not single) or tuple(rows.shape[rows.dim() - len(shape) :]) != shape:
        inner = ", ".join(map(str, shape))
        raise ValueError(
            f"expected the past as (time, {inner}), or (sequences, time, {inner}) for several sequences, found {tuple(rows.shape)}"
        )
    if not single and continuations is not None:
        raise ValueError("continuations= are those of one sequence: give one past of shape (time, ...), or repeat each yourself")
    rows = rows[None] if single else rows
    if rows.shape[1] < count or not len(rows):
        raise ValueError(f"the context holds {count} frames, and the past has {rows.shape[1]} of {len(rows)} sequences")
    window = rows[:, rows.shape[1] - count :]
    flat = window.reshape(-1, *shape)
    model.visible.check(flat)
    states = model.visible.from_data(flat, model.visible.zero_input()).reshape(window.shape)
    if continuations is not None:
        states = states.expand(continuations, *states.shape[1:])
    return states, single and continuations is None
