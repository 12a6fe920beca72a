"""Hidden units learnt one at a time: projection pursuit."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from harmonium.couplings import Dense
from harmonium.data.tables import as_tensor
from harmonium.learning.residual import Enumerated, Particles, View, is_small
from harmonium.models import RBM
from harmonium.seeds import fresh_generator
from harmonium.units import Bernoulli, Spin, Unit

DIRECTIONS = 4  # in which a new unit may set out
TRIAL = 20  # iterations of an ascent before it is compared with the others
PARTICLES = 1000


def projection_pursuit(
    model: RBM | Unit,
    data: Any,
    units: int = 1,
    *,
    hidden: Callable[[int], Unit] = Bernoulli,
    refit: bool = False,
    particles: int | None = None,
    seed: int = 0,
) -> RBM:
    """Adds hidden units to a machine one at a time, each of which fits what the others left (Freund & Haussler 1991).

    The likelihood is maximised over the new unit's weights and bias and the visible biases. The earlier units' weights stay.

    Parameters
    ----------
    model : RBM or Unit
        The machine to go on from. Its layers are flat, of `Bernoulli` or `Spin` units, with a dense coupling. It is not changed. A visible
        layer stands for a machine without hidden units; its biases are set to the data's base rates.
    data : Tensor, array or frame
        (cases, visible).
    units : int, default 1
        Number of units to add.
    hidden : callable, default hm.Bernoulli
        Makes the hidden layer of the first unit: `hm.Bernoulli` or `hm.Spin`. The hidden units of a machine go on in their own kind.
    refit : bool, default False
        After each new unit, maximise the likelihood over all parameters together, from where they are.
    particles : int, optional
        Number of samples that stand for the machine's distribution. By default the states of its smaller side are enumerated, if they
        make at most 2^22 numbers, and otherwise there are 1,000 particles.
    seed : int, default 0
        Seed of the particles. Enumeration draws nothing.

    Returns
    -------
    RBM
        With `units` more hidden units, in the order of their arrival, of the type of the given machine.

    Raises
    ------
    TypeError
        For other kinds of units and couplings.
    ValueError
        For data that do not fit, numbers below one, and layers that are not flat or share biases.

    Notes
    -----
    A hidden unit of weights w and bias c multiplies p(v), before it is normalised, by exp φ(w·v), with φ its log-partition. A new one
    therefore gains, over the distribution p so far,

        <φ(w·v)>_data - log <exp φ(w·v)>_p        = ½ φ'' w'(C_data - C_p) w + ... for small w

    with C the covariances of the visible units. So the ascents, by L-BFGS, begin along the four leading eigenvectors of C_data - C_p, and
    the best counts. With enumeration no unit lowers the likelihood of the data, because one of weight zero leaves it as it is. The visible
    biases learn along, because otherwise it would matter whether a state is written 0 or -1: a unit of states 0 and 1 that also moves the
    biases is one of states -1 and +1.

    With particles the second average is over samples, weighted by importance. An ascent ends where their effective sample size falls to
    half their number, and pays for how far it moves the parameters; Gibbs sampling then moves the particles, and the ascent goes on from
    there, 20 times. The likelihood is not known then, and may fall by the error of these averages.

    Freund & Haussler (1991), Unsupervised learning of distributions on binary vectors using two layer networks, NIPS 4: "a greedy method
    that creates the hidden units and computes their weights one at a time [...] a variant of the standard method for projection pursuit
    density estimation". The eigenvectors, L-BFGS and the renewed particles are this package's.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> bars = hm.Bernoulli(3).states(torch.arange(8)).repeat_interleave(2, dim=1)  # three bars of two pixels each
    >>> rbm = hm.projection_pursuit(hm.Bernoulli(6), bars, 2)
    >>> rbm = hm.projection_pursuit(rbm, bars)  # goes on
    >>> rbm.hidden.shape
    (3,)
    >>> round(hm.likelihood.evaluate(rbm, bars).nats, 2)  # at most -log 8
    -2.08
    """
    if units < 1 or (particles is not None and particles < 1):
        raise ValueError(f"expected at least one unit to add and one particle, found {units=} and {particles=}")
    grown = copy.deepcopy(model) if isinstance(model, RBM) else _without_features(model, hidden)
    _check(grown)
    like, rows = grown.coupling.matrix(), as_tensor(data)
    grown.visible.check(rows)
    grown, rows = grown.double(), grown.visible.from_data(rows, like).double()
    if isinstance(model, RBM):
        grown = _with_another(grown)
    else:
        grown.visible.init_from(rows)
    generator = fresh_generator(like, seed)
    chosen = torch.randint(len(rows), (particles or PARTICLES,), generator=generator, device=like.device)
    samples = Particles(rows[chosen], generator)
    for number in range(units):
        grown = _with_another(grown) if number else grown
        view: View = Enumerated() if particles is None and is_small(grown) else samples
        grown = _newest(grown, rows, view)
        if refit:
            grown = _settled(grown, rows, view, newest=False)
    return grown.to(like.dtype)


def _without_features(layer: Unit, hidden: Callable[[int], Unit]) -> RBM:
    """A machine of this layer and one hidden unit of weight zero."""
    like = layer.zero_input()
    coupling = Dense(layer.statistic_shape, 1, scale=0.0)
    return RBM(copy.deepcopy(layer), hidden(1).to(like), coupling.to(like))


def _check(model: RBM) -> None:
    """Raises unless units can be added to this machine."""
    if not isinstance(model.coupling, Dense):
        raise TypeError(f"units are added to a machine with a dense coupling, found {type(model.coupling).__name__}")
    for layer in (model.visible, model.hidden):
        if not isinstance(layer, Bernoulli | Spin):
            raise TypeError(f"units are added to a machine of Bernoulli and Spin units, found {type(layer).__name__}")
        if len(layer.shape) != 1 or layer.bias_shape != layer.shape:
            raise ValueError(f"units are added to flat layers with a bias for each unit, found {layer}")


@torch.no_grad()
def _with_another(model: RBM) -> RBM:
    """The machine with one more hidden unit of weight zero: p(v) stays as it is."""
    hidden = type(model.hidden)(model.hidden.shape[0] + 1).to(model.coupling.matrix())
    more = RBM(model.visible, hidden, Dense(model.visible.shape, hidden.shape, scale=0.0).to(model.coupling.matrix()))
    more.coupling.get_parameter("weight")[:, :-1] = model.coupling.matrix()
    more.hidden.get_parameter("bias")[:-1] = model.hidden.get_parameter("bias")
    return more


@torch.no_grad()
def _set_out(model: RBM, rows: Tensor, view: View) -> Iterator[RBM]:
    """Copies whose newest unit looks along a direction in which the data vary more than the machine's samples, and is on for about half."""
    _, vectors = torch.linalg.eigh(torch.cov(rows.T, correction=0) - view.covariance())
    middle = model.hidden.states(torch.tensor([0, 1])).mean()
    for direction in vectors.T.flip(0)[:DIRECTIONS]:
        along = rows @ direction
        weight = direction / along.std().clamp_min(1e-3)
        found = copy.deepcopy(model)
        found.coupling.get_parameter("weight")[:, -1] = weight
        found.hidden.get_parameter("bias")[-1] = -(rows @ weight).mean()
        found.visible.get_parameter("bias").sub_(weight * middle)
        yield found


def _newest(model: RBM, rows: Tensor, view: View) -> RBM:
    """The machine once the newest unit has learnt. The best of several ascents counts; one of weight zero is among them."""
    view.look(model)
    ends = [_climbed(each, rows, view, newest=True, iterations=TRIAL) for each in _set_out(model, rows, view)]
    best = min([model, *ends], key=lambda each: _surprise(each, rows, view).item())
    return _settled(best, rows, view, newest=True)


def _settled(model: RBM, rows: Tensor, view: View, *, newest: bool) -> RBM:
    """The machine after as many ascents as the view takes, each from a new look at its distribution."""
    for _ in range(view.rounds):
        view.look(model)
        model = _climbed(model, rows, view, newest=newest, iterations=view.iterations)
    return model


def _surprise(model: RBM, rows: Tensor, view: View) -> Tensor:
    """The mean of -log p(v) over the data, up to a constant of the view."""
    return model.free_energy(rows).mean() + view.log_z(model)


def _climbed(model: RBM, rows: Tensor, view: View, *, newest: bool, iterations: int) -> RBM:
    """The machine at the end of an ascent by L-BFGS, in the newest unit alone or in all parameters."""
    model = copy.deepcopy(model)
    ascent = torch.optim.LBFGS(model.parameters(), max_iter=iterations, line_search_fn="strong_wolfe")
    start = [parameter.detach().clone() for parameter in model.parameters()]
    weight, bias = model.coupling.get_parameter("weight"), model.hidden.get_parameter("bias")

    def loss() -> Tensor:
        ascent.zero_grad()
        moved = sum((mine - before).square().sum() for mine, before in zip(model.parameters(), start, strict=True))
        value = _surprise(model, rows, view) + view.price / 2 * moved
        value.backward()  # type: ignore[no-untyped-call]
        if newest and weight.grad is not None and bias.grad is not None:  # what has no gradient stays where it is
            weight.grad[:, :-1] = 0
            bias.grad[:-1] = 0
        return value

    ascent.step(loss)  # type: ignore[no-untyped-call]
    return view.trusted(model)
