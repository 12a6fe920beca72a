"""Removing structured noise by top-down effects: what a deep belief net would rather see (Hinton's tutorial, IPAM 2012, part 1).

After one up-pass the first hidden layer listens less and less to the pixels and more and more to the layers above, which know what its
states look like when there is no noise. With x1, x2, ... the hidden layers, W and W2 the couplings of the first two (recognition from the
pixels, generation from x2), c and b the first layer's own recognition and generative biases, and α falling while β rises,

    input to x1 = α W'v + β W2 x2 + (α c + β b) / (α + β)

so that α = 1, β = 0 is the plain up-pass, α = 0, β = 1 the generative model's own p(x1 | x2), and the layer has one bias in all, whatever
α + β. After each such step the layers above are found anew: upward by recognition, in the top RBM by `sweeps` sweeps of its own two
conditionals, whose visible side may hold labels beside the features, which nobody clamps, and downward to x2 by
generation.

Nothing is known of where the noise is, but the net can find out. With `robust`, which goes beyond the tutorial, in the spirit of the robust
Boltzmann machine (Tang, Salakhutdinov & Hinton, CVPR 2012), each pixel is thought to be clean with probability 1 - ε and else a coin q that
shows ink with probability `ink`, ½ where nothing is known of what noise looks like either:

    r_i = (1 - ε) p(v_i | x1) / ((1 - ε) p(v_i | x1) + ε q(v_i))        W'v becomes W'(r v + (1 - r) E[v | x1])

with x1 of the step before, so that pixels which the layers above cannot account for are replaced by what they expect in their place. Of a
grey level, p(v | x1) is m^v (1 - m)^(1 - v), m = E[v | x1], and q alike.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from harmonium.models import DBN, Directed
from harmonium.units import Bernoulli, Groups, Unit


class TopDownState(NamedTuple):
    """Where a net stands between two steps.

    `v`: the noisy data, (cases, *visible.shape). `first`: the first hidden layer's means or states, (cases, *its shape). `top`: the top
    RBM's visible layer, (cases, *top.visible.shape), its features as recognised from `first` and what stands beside them (labels) as the
    top RBM believes. `input`: what the layers above send to the first hidden layer, without its own bias. `wanted`: what that layer sends
    to the pixels, likewise.
    """

    v: Tensor
    first: Tensor
    top: Tensor
    input: Tensor
    wanted: Tensor


class TopDownInfo(NamedTuple):
    """What the first hidden layer would like to reconstruct, E[v | x1], and where `robust` asks for it how sure the net was, in finding
    x1, that each pixel is clean: (cases, *visible.shape) each."""

    reconstruction: Tensor
    clean: Tensor | None


class Cleaned(NamedTuple):
    """A whole schedule: the first hidden layer, (steps, cases, *its shape), what it would like to reconstruct and, or None, how sure the
    net was of each pixel, (steps, cases, *visible.shape), and the state after the last step, whose `top` is what classifies."""

    first: Tensor
    reconstruction: Tensor
    clean: Tensor | None
    state: TopDownState


def linear(steps: int, *, bottom_up: float = 0.0, top_down: float = 1.0) -> list[tuple[float, float]]:
    """(α, β) of each step: (1, 0), the plain up-pass, at first, (`bottom_up`, `top_down`) at last, evenly between. ValueError for
    fewer than two steps."""
    if steps < 2:
        raise ValueError(f"a schedule from one end to the other has at least two steps, found {steps}")
    return [(1 + t * (bottom_up - 1), t * top_down) for t in (step / (steps - 1) for step in range(steps))]


@torch.no_grad()
def init(dbn: DBN, v: Tensor, *, generator: torch.Generator | None = None, sweeps: int = 1) -> TopDownState:
    """The state after one up-pass: means throughout, or samples with a generator.

    `v`: (cases, *visible.shape), in any type that the visible units take as data. What stands beside the features in the top RBM begins
    at its own biases. ValueError for data outside the visible units' support, a net without hidden layers below its top RBM or whose
    first hidden layer is of one kind upwards and of another downwards, and fewer than one sweep.
    """
    if not len(dbn.recognition):
        raise ValueError("top-down effects need a hidden layer below the top RBM's hidden one: found a deep belief net of one RBM")
    if sweeps < 1:
        raise ValueError(f"the layers above answer after at least one sweep of the top RBM, found sweeps={sweeps}")
    _check_alike(_directed(dbn.recognition[0]).unit, _own(dbn))
    below, like = _directed(dbn.recognition[0]), dbn.top.visible.zero_input()
    below.neighbour.check(v)
    v = below.neighbour.from_data(v, like)
    first = _drawn(below.unit, below.input(v), generator)
    top = _drawn(dbn.top.visible, dbn.top.visible.zero_input(len(v)), generator)
    return _above(dbn, v, first, top, generator, sweeps)


@torch.no_grad()
def step(
    dbn: DBN,
    state: TopDownState,
    *,
    bottom_up: float,
    top_down: float,
    generator: torch.Generator | None = None,
    robust: float | None = None,
    ink: float = 0.5,
    sweeps: int = 1,
) -> tuple[TopDownState, TopDownInfo]:
    """The first hidden layer under its mixed input, then all layers above it.

    `bottom_up`, `top_down`: α and β, at least zero and not both zero. `robust`: ε, the share of pixels that are thought to be noise
    before any is looked at; `ink`: how probably such a pixel is on. ValueError for other weights, for `robust` or `ink` not between 0 and
    1, and for `robust` with visible units other than `Bernoulli`.
    """
    _check_weights([(bottom_up, top_down)], dbn, robust, ink)
    below = _directed(dbn.recognition[0])
    v, clean = state.v, None
    if robust is not None:
        pixels = _directed(dbn.generative[0]).unit
        total = state.wanted + pixels.get_parameter("bias")
        log_p = v * total - F.softplus(total)
        log_q = v * math.log(ink) + (1 - v) * math.log(1 - ink)
        clean = torch.sigmoid(math.log(1 - robust) - math.log(robust) + log_p - log_q)
        v = clean * v + (1 - clean) * torch.sigmoid(total)
    unit = _mixed(below.unit, _own(dbn), bottom_up, top_down)
    first = _drawn(unit, bottom_up * below.input(v) + top_down * state.input, generator)
    state = _above(dbn, state.v, first, state.top, generator, sweeps)
    return state, TopDownInfo(_directed(dbn.generative[0]).unit.mean(state.wanted), clean)


def remove_noise(
    dbn: DBN,
    v: Tensor,
    schedule: Sequence[tuple[float, float]],
    *,
    generator: torch.Generator | None = None,
    robust: float | None = None,
    ink: float = 0.5,
    sweeps: int = 1,
) -> Cleaned:
    """An up-pass, then one `step` for each (α, β) of the schedule, as `linear` makes one: means throughout, or samples with a generator.

    `v`: (cases, *visible.shape). All steps are kept: where that is too much, `init` and `step` do the same. The arguments and the
    ValueErrors are theirs; all are raised before any work.
    """
    _check_weights(schedule, dbn, robust, ink)
    state = init(dbn, v, generator=generator, sweeps=sweeps)
    first, reconstruction, clean = [], [], []
    for bottom_up, top_down in schedule:
        state, info = step(dbn, state, bottom_up=bottom_up, top_down=top_down, generator=generator, robust=robust, ink=ink, sweeps=sweeps)
        first.append(state.first)
        reconstruction.append(info.reconstruction)
        if info.clean is not None:
            clean.append(info.clean)
    return Cleaned(torch.stack(first), torch.stack(reconstruction), torch.stack(clean) if clean else None, state)


def _above(dbn: DBN, v: Tensor, first: Tensor, top: Tensor, generator: torch.Generator | None, sweeps: int) -> TopDownState:
    """The state once all layers have been found anew from the first; `top`: what stood beside the features before."""
    features = first
    for layer in dbn.recognition[1:]:
        features = layer(features, generator)
    width = features.shape[-1]
    visible, recognised = dbn.top.visible, torch.cat([features, top[..., width:]], dim=-1)
    top = recognised
    for _ in range(sweeps):
        h = _drawn(dbn.top.hidden, dbn.top.hidden_input(top), generator)
        input = dbn.top.visible_input(h)
        top = _drawn(visible, input, generator)
    if len(dbn.generative) > 1:
        layer, down = _directed(dbn.generative[1]), top[..., :width]
        for higher in list(dbn.generative[2:])[::-1]:
            down = higher(down, generator)
        input = layer.input(layer.neighbour.from_output(down, generator))
    elif isinstance(visible, Groups) and dbn.labels is not None:
        input = visible.split_input(input)[0]
    recognised = torch.cat([features, top[..., width:]], dim=-1)
    pixels = _directed(dbn.generative[0])
    return TopDownState(v, first, recognised, input, pixels.input(pixels.neighbour.from_output(first, generator)))


def _own(dbn: DBN) -> Unit:
    """The first hidden layer as the generative model has it."""
    if len(dbn.generative) > 1:
        return _directed(dbn.generative[1]).unit
    return dbn.penultimate


def _mixed(upward: Unit, downward: Unit, bottom_up: float, top_down: float) -> Unit:
    """A layer whose own parameters are the weighted means of two."""
    unit, total = copy.deepcopy(upward), bottom_up + top_down
    for mine, one, other in zip(unit.parameters(), upward.parameters(), downward.parameters(), strict=True):
        mine.copy_((bottom_up * one + top_down * other) / total)
    return unit


def _drawn(unit: Unit, input: Tensor, generator: torch.Generator | None) -> Tensor:
    return unit.mean(input) if generator is None else unit.sample(input, generator=generator)


def _directed(layer: torch.nn.Module) -> Directed:
    assert isinstance(layer, Directed)
    return layer


def _check_alike(upward: Unit, downward: Unit) -> None:
    shapes = [[(name, p.shape) for name, p in unit.named_parameters()] for unit in (upward, downward)]
    if type(upward) is not type(downward) or upward.shape != downward.shape or shapes[0] != shapes[1]:
        raise ValueError(
            f"the first hidden layer mixes its input from below and from above, so that it must be of one kind and shape both ways: found "
            f"{upward} upwards and {downward} downwards"
        )


def _check_weights(schedule: Sequence[tuple[float, float]], dbn: DBN, robust: float | None, ink: float) -> None:
    if not len(schedule):
        raise ValueError("a schedule has at least one step (bottom_up, top_down); sampling.top_down.linear(steps) makes one")
    for pair in schedule:
        if len(pair) != 2 or not all(0 <= weight < math.inf for weight in pair) or not sum(pair):
            raise ValueError(f"a step weighs input from below and from above by two finite numbers >= 0, not both zero, found {pair}")
    if robust is not None:
        if not (0 < robust < 1 and 0 < ink < 1):
            raise ValueError(
                f"robust= is the share of pixels thought to be noise and ink= the share of these that are on, each above 0 and below 1; "
                f"found {robust=} and {ink=}"
            )
        if not len(dbn.generative) or not isinstance(_directed(dbn.generative[0]).unit, Bernoulli):
            raise ValueError(f"robust= tells noise from data among Bernoulli pixels, found {dbn.rbms[0].visible}")
