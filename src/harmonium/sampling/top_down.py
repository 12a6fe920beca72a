"""Removing structured noise from data by top-down effects in a deep belief net (Hinton's tutorial, IPAM 2012, part 1).

After one up-pass, the first hidden layer takes less and less of its input from the pixels, and more and more from the layers above. Those
layers model its states for clean data. Let x1, x2, ... be the hidden layers. W and W2 are the couplings of the first two layers: W
recognises from the pixels, W2 generates from x2. c and b are the first layer's own recognition and generative biases. α falls while β
rises:

    input to x1 = α W'v + β W2 x2 + (α c + β b) / (α + β)

α = 1, β = 0 is the plain up-pass. α = 0, β = 1 is the generative model's p(x1 | x2). The weights of the two biases add up to one for any
α + β. After each step the layers above are inferred again: upwards by recognition, then `sweeps` Gibbs sweeps in the top RBM, then
downwards to x2 by generation. The top RBM's visible side may hold labels beside the features. They are free.

The location of the noise is not given, but the net can estimate it. `robust` does this. It is not part of the tutorial, and follows the
idea of the robust Boltzmann machine (Tang, Salakhutdinov & Hinton, CVPR 2012). Each pixel is clean with prior probability 1 - ε. Otherwise
it is a coin toss q, which is on with probability `ink` (½ if nothing is known about the noise):

    r_i = (1 - ε) p(v_i | x1) / ((1 - ε) p(v_i | x1) + ε q(v_i))        W'v becomes W'(r v + (1 - r) E[v | x1])

x1 is that of the previous step. So pixels that the layers above cannot explain are replaced by their expected values. For a grey level,
p(v | x1) is m^v (1 - m)^(1 - v) with m = E[v | x1], and q has the same form.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from harmonium.data.tables import as_tensor
from harmonium.models import DBN, Directed
from harmonium.units import Bernoulli, Groups, Unit


class TopDownState(NamedTuple):
    """The states of a net between two steps.

    Attributes
    ----------
    v : Tensor
        (cases, *visible.shape), the noisy data.
    first : Tensor
        (cases, *its shape), the first hidden layer's means or states.
    top : Tensor
        (cases, *top.visible.shape), the top RBM's visible layer: the features recognised from `first`, beside the label units as the top
        RBM infers them.
    input : Tensor
        The input from the layers above to the first hidden layer, without that layer's bias.
    wanted : Tensor
        The input from the first hidden layer to the pixels, without the pixels' bias.
    """

    v: Tensor
    first: Tensor
    top: Tensor
    input: Tensor
    wanted: Tensor


class TopDownInfo(NamedTuple):
    """What one step reconstructs.

    Attributes
    ----------
    reconstruction : Tensor
        (cases, *visible.shape), E[v | x1] of the new first hidden layer.
    clean : Tensor or None
        (cases, *visible.shape), the probability that each pixel is clean, as it was used to find x1. None without `robust`.
    """

    reconstruction: Tensor
    clean: Tensor | None


def linear(steps: int, *, bottom_up: float = 0.0, top_down: float = 1.0) -> list[tuple[float, float]]:
    """A linear schedule: (α, β) of each step, from (1, 0), the plain up-pass, to (`bottom_up`, `top_down`).

    Parameters
    ----------
    steps : int
        Number of steps, at least two.
    bottom_up : float, default 0.0
        α of the last step.
    top_down : float, default 1.0
        β of the last step.

    Returns
    -------
    list of tuple of float
        (steps) pairs.

    Raises
    ------
    ValueError
        For fewer than two steps.

    Examples
    --------
    >>> from harmonium.sampling import top_down
    >>> top_down.linear(3)
    [(1.0, 0.0), (0.5, 0.5), (0.0, 1.0)]
    """
    if steps < 2:
        raise ValueError(f"a linear schedule has at least two steps, found {steps}")
    return [(1 + t * (bottom_up - 1), t * top_down) for t in (step / (steps - 1) for step in range(steps))]


@torch.no_grad()
def init(dbn: DBN, v: Tensor, *, generator: torch.Generator | None = None, sweeps: int = 1) -> TopDownState:
    """The state after one up-pass. The label units of the top RBM start at their own biases.

    Parameters
    ----------
    dbn : DBN
        The net.
    v : Tensor
        (cases, *visible.shape), data.
    generator : torch.Generator, optional
        The source of all draws. By default layers are at their means.
    sweeps : int, default 1
        Sweeps of the top RBM.

    Returns
    -------
    TopDownState
        The states of all layers.

    Raises
    ------
    ValueError
        For data outside the visible units' support, a net of one RBM, a first hidden layer whose kind differs between recognition and
        generation, or fewer than one sweep.
    """
    if not len(dbn.recognition):
        raise ValueError("top-down effects need a hidden layer below the top RBM's hidden one: found a deep belief net of one RBM")
    if sweeps < 1:
        raise ValueError(f"the top RBM takes at least one sweep per step, found sweeps={sweeps}")
    _check_alike(_directed(dbn.recognition[0]).unit, _own(dbn))
    below, like = _directed(dbn.recognition[0]), dbn.top.visible.zero_input()
    v = as_tensor(v)
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
    """Updates the first hidden layer from its mixed input, then all layers above it.

    Parameters
    ----------
    dbn, generator, robust, ink, sweeps
        As for `hm.sampling.remove_noise`.
    state : TopDownState
        The state before the step.
    bottom_up, top_down : float
        α and β. Both are at least zero, and not both are zero.

    Returns
    -------
    state : TopDownState
        The state after the step.
    info : TopDownInfo
        The reconstruction, and the probability that each pixel is clean.

    Raises
    ------
    ValueError
        For other values of `bottom_up`, `top_down`, `robust` or `ink`, and for `robust` with other visible units.
    """
    check_weights([(bottom_up, top_down)], dbn, robust, ink)
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


def _above(dbn: DBN, v: Tensor, first: Tensor, top: Tensor, generator: torch.Generator | None, sweeps: int) -> TopDownState:
    """The state after all layers above the first are inferred again. `top`: the top RBM's visible layer before, with its label units."""
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
    """The first hidden layer in the generative model."""
    if len(dbn.generative) > 1:
        return _directed(dbn.generative[1]).unit
    return dbn.penultimate


def _mixed(upward: Unit, downward: Unit, bottom_up: float, top_down: float) -> Unit:
    """A layer whose own parameters are the weighted means of two layers' parameters.

    A variance counts among them, whether it is learnt in both directions or fixed in one.
    """
    unit, total, others = copy.deepcopy(upward), bottom_up + top_down, downward.state_dict()
    for name, mine in unit.state_dict().items():
        mine.copy_((bottom_up * mine + top_down * others[name]) / total)
    return unit


def _drawn(unit: Unit, input: Tensor, generator: torch.Generator | None) -> Tensor:
    return unit.mean(input) if generator is None else unit.sample(input, generator=generator)


def _directed(layer: torch.nn.Module) -> Directed:
    assert isinstance(layer, Directed)
    return layer


def _check_alike(upward: Unit, downward: Unit) -> None:
    shapes = [{name: tensor.shape for name, tensor in unit.state_dict().items()} for unit in (upward, downward)]
    if type(upward) is not type(downward) or upward.shape != downward.shape or shapes[0] != shapes[1]:
        raise ValueError(
            f"the first hidden layer mixes inputs from below and from above, so it must have one kind and shape in both directions: found "
            f"{upward} upwards and {downward} downwards"
        )


def check_weights(schedule: Sequence[tuple[float, float]], dbn: DBN, robust: float | None, ink: float) -> None:
    """Raises a ValueError for settings that cannot be followed.

    Parameters
    ----------
    schedule : sequence of tuple of float
        (α, β) of each step.
    dbn : DBN
        The net.
    robust : float or None
        The expected share of noisy pixels, above 0 and below 1.
    ink : float
        The share of these that are on, above 0 and below 1. It is looked at only if `robust` is given.
    """
    if not len(schedule):
        raise ValueError("a schedule has at least one step (bottom_up, top_down); sampling.top_down.linear(steps) makes one")
    for pair in schedule:
        if len(pair) != 2 or not all(0 <= weight < math.inf for weight in pair) or not sum(pair):
            raise ValueError(f"each step is a pair (bottom_up, top_down) of finite numbers >= 0, not both zero, found {pair}")
    if robust is not None:
        if not (0 < robust < 1 and 0 < ink < 1):
            raise ValueError(
                f"robust= is the expected share of noisy pixels, and ink= the share of these that are on. Both must be above 0 and below "
                f"1: found {robust=} and {ink=}"
            )
        if not len(dbn.generative) or not isinstance(_directed(dbn.generative[0]).unit, Bernoulli):
            raise ValueError(f"robust= takes Bernoulli pixels, found {dbn.rbms[0].visible}")
