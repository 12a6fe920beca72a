"""The likelihood of held-out cases during learning, and early stopping by it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from harmonium.learning.cases import GivenRows, Rows, as_rows
from harmonium.learning.loop.plan import Plan
from harmonium.learning.loop.state import SHARED, TrainingState
from harmonium.learning.loop.trainer import Callback, Choice
from harmonium.likelihood import ais, exact_log_z, log_z_by_raise
from harmonium.likelihood.distinct_given import Distinct, distinct, of_cases
from harmonium.likelihood.log_z_by_raise import some_of
from harmonium.likelihood.unnormalised import base_rates_of, states_of, unnormalised
from harmonium.models import Generative
from harmonium.seeds import derive, fresh_generator
from harmonium.units import NOTHING, Bernoulli, Given, Unit
from harmonium.units.groups import leaves

TAKEN = ("epoch", "step", "seconds", SHARED)  # names of other figures of an epoch
LISTED = 2**16  # most states of one side that are enumerated
CONDITIONS = 100  # most partition functions at one time
AGREEMENT = 1.0  # nats: estimates further apart than this are doubtful


class HeldOut(Callback):
    """Writes the mean log-likelihood of held-out cases, in nats, into `state.history` at intervals.

    Unlike the pseudo-likelihood and the reconstruction error, it is the figure that learning is about. `fit(..., patience=)` stops by it.

    Parameters
    ----------
    rows : Tensor, array or Source
        Held-out cases, (cases, *visible.shape), as `fit` takes them. Probabilities of binary units are drawn once, and a `Source` is
        visited once.
    every : int, default 1
        Epochs from one figure to the next.
    name : str, default "nats"
        Name of the figure in the rows of `state.history`. Several `HeldOut` need different names, and none that another figure has.
    given : Given, optional
        What is given of each case: absent units, lengths, or contexts.
    betas : int, default 1000
        Inverse temperatures of each estimate, where log Z is estimated.
    chains : int, default 100
        Chains of each estimate.
    seed : int, default 0
        Seed of the draws. They are not part of learning, which stays the same to the last bit.

    Raises
    ------
    ValueError
        For an interval below one. When training starts: for cases that the units cannot take, and where there are more than 100 partition
        functions, as with a context of its own for each case.
    TypeError
        When training starts, for a model without a likelihood.

    Notes
    -----
    With the name "nats", a row of the history gets

    - `nats`: the mean of log p(v), for a deep model of its variational bound;
    - `nats_error`: the standard error that it owes to log Z, 0 where that is exact;
    - `nats_doubt`: the difference between the two estimates of log Z, 0 where it is exact.

    log Z is exact where one side of the machine has at most 2^16 states. Otherwise it is estimated forwards by AIS, which promises too much
    where its chains miss a mode, and backwards from held-out cases by RAISE, which bounds the likelihood of the annealing model. `nats` is
    the lower of the two figures. Estimates more than one nat apart are doubtful, and `verdict` says so: take more `betas`. Nothing is kept
    from one figure to the next, so resumed training has the same figures.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rows = torch.eye(6).repeat(20, 1)
    >>> watch, rbm = hm.HeldOut(rows[:30], every=5), hm.RBM(hm.Bernoulli(6), hm.Bernoulli(8))
    >>> state = hm.fit(rbm, rows[30:], epochs=10, callbacks=[watch], progress=False)
    >>> ["nats" in row for row in state.history].index(True), round(state.history[-1]["nats"])
    (4, -3)
    >>> watch.verdict
    'log Z is exact'
    """

    def __init__(
        self, rows: Rows, *, every: int = 1, name: str = "nats", given: Given = NOTHING, betas: int = 1000, chains: int = 100, seed: int = 0
    ) -> None:
        if every < 1:
            raise ValueError(f"held-out cases are looked at every so many epochs, at least 1, found every={every}")
        if betas < 2 or chains < 2:
            raise ValueError(f"estimates take at least two betas and two chains, found betas={betas} and chains={chains}")
        if name in TAKEN:
            raise ValueError(f"name={name!r} is that of another figure in each row of the history: choose another name")
        self.rows, self.every, self.name, self.given = rows, every, name, given
        self.betas, self.chains, self.seed = betas, chains, seed
        self.verdict = "no figure yet"
        """One sentence on the reliability of the last figure."""

    def on_start(self, state: TrainingState, epochs: int, batches: int) -> None:
        model = state.model
        if not isinstance(model, Generative):
            raise TypeError(
                f"held-out nats are those of an RBM, a deep belief net or a deep Boltzmann machine, found {type(model).__name__}"
            )
        v, given, _ = self._cases(model)
        unnormalised(model, v[:1], given.rows(slice(1)))  # refuses now what has no likelihood

    def on_epoch(self, state: TrainingState) -> None:
        if state.epoch % self.every == 0:
            assert isinstance(state.model, Generative)
            state.history[-1] |= self.figures(state.model, state.epoch)

    @torch.no_grad()
    def figures(self, model: Generative, epoch: int = 0) -> dict[str, float]:
        """The figures of a model. `epoch`: a part of the seed of the estimates."""
        v, given, known = self._cases(model)
        values = unnormalised(model, v, given, samples=1, seed=self.seed).values
        found = [self._log_z(model, v, given, known, number, derive(self.seed, epoch, number)) for number in range(len(known.given))]
        log_z, error, doubt = (torch.tensor(column, dtype=torch.float64, device=v.device) for column in zip(*found, strict=True))
        shares = torch.tensor(known.cases, dtype=torch.float64, device=v.device) / len(v)
        nats = (values - log_z[known.place.to(v.device)]).mean().item()
        errors = (shares * error).square().sum().sqrt().item()
        self.verdict = _verdict(bool((error == 0).all()), worst := doubt.max().item())
        return {self.name: nats, f"{self.name}_error": errors, f"{self.name}_doubt": worst}

    def _cases(self, model: Generative) -> tuple[Tensor, Given, Distinct]:
        """Visible states, what is given of each, and the distinct conditions that log Z depends on."""
        visible = model.visible
        like = visible.zero_input()
        generator = fresh_generator(like, self.seed)
        source = as_rows(visible, self.rows, like, GivenRows(self.given, visible, len(self.rows), like) if self.given else None)
        v = _drawn(visible, source.rows(torch.arange(len(source)), generator), generator)
        given = of_cases(visible, v, self.given)
        known = distinct(model.machine_given(given), len(v))
        if len(known.given) > CONDITIONS:
            raise ValueError(
                f"log Z would have to be computed for each of {len(known.given):,} {known.what}, and HeldOut takes at most {CONDITIONS}: "
                "give it fewer cases, or watch the metrics of validation= instead"
            )
        return v, given, known

    def _log_z(self, model: Generative, v: Tensor, given: Given, known: Distinct, number: int, seed: int) -> tuple[float, float, float]:
        """log Z under one condition, its standard error, and how far the two estimates lie apart."""
        machine, side = model.machine, known.given[number]
        smaller = min(machine.visible.count, machine.hidden.count)
        if smaller <= LISTED or smaller == math.inf:
            try:
                return exact_log_z(machine, given=side), 0.0, 0.0
            except ValueError:  # no closed form is known
                machine.check_normalisable(side)
        here = (known.place == number).to(v.device)
        base = base_rates_of(model, v[here], given.rows(here))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*effective sample size")  # the verdict says it
            forward = ais(machine, chains=self.chains, betas=self.betas, seed=seed, base_rates=base, given=side)
        if side.context is not None or side.present is not None or int(here.sum()) < 2:
            return forward.log_z, forward.standard_error, _unequal(forward.ess, self.chains)
        x = states_of(model, some_of(v[here], self.chains, seed), fresh_generator(v, derive(seed, 1)))
        back = log_z_by_raise(machine, x, betas=self.betas, base_rates=base, seed=derive(seed, 2))
        return *max((forward.log_z, forward.standard_error), (back.log_z, back.standard_error)), abs(forward.log_z - back.log_z)


def early_stopping(
    plan: Plan,
    patience: int | None,
    validation: Rows | None,
    given: Given = NOTHING,
    *,
    title: str = "learning",
    first: Sequence[Callback] = (),
) -> tuple[list[Callback], Choice | None]:
    """The callbacks, those of held-out nats first, and the choice of the best epoch by them.

    Their figures stand in the history before any other callback looks at it. Each callback appears once.

    Parameters
    ----------
    plan : Plan
        What the user gave, callbacks included.
    patience : int, optional
        Epochs without a better figure after which training ends. The figure is that of the user's first `HeldOut`, or else of a new one.
    validation : Tensor, array or Source, optional
        Held-out cases for a new `HeldOut`.
    given : Given, optional
        What is given of each of these cases.
    title : str
        What the progress bar calls the training.
    first : sequence of Callback
        Callbacks before the user's.

    Returns
    -------
    callbacks : list of Callback
        All callbacks, in their order.
    choice : Choice, optional
        The choice of the best epoch, if there is patience.

    Raises
    ------
    ValueError
        For a patience below one or without held-out cases, and for several figures of one name.
    """
    callbacks = [*first, *plan.watchers(title)]
    found = [each for each in callbacks if isinstance(each, HeldOut)]
    others = [each for each in callbacks if not isinstance(each, HeldOut)]
    if len({each.name for each in found}) < len(found):
        raise ValueError("several HeldOut need different names: HeldOut(rows, name=...)")
    if patience is None:
        return [*found, *others], None
    if patience < 1:
        raise ValueError(f"patience is a number of epochs, at least 1, found {patience}")
    if not found:
        if validation is None:
            raise ValueError("patience= ends training by held-out nats: give validation=, or an hm.HeldOut(rows) among the callbacks")
        found = [HeldOut(validation, given=given, seed=plan.seed)]
    return [*found, *others], Choice(found[0].name, patience, highest=True)


def _drawn(visible: Unit, rows: Tensor, generator: torch.Generator) -> Tensor:
    """States: probabilities of binary units are drawn."""
    start, found = 0, rows.clone()
    for _, _, leaf in leaves(visible):
        size = leaf.shape[-1]
        if isinstance(leaf, Bernoulli) and leaf.values == "probabilities":
            found[..., start : start + size] = torch.bernoulli(rows[..., start : start + size], generator=generator)
        start += size
    return found


def _unequal(ess: float, chains: int) -> float:
    """A doubt where only one estimate is to be had: nats by which log Z would rise if the effective chains were all that count."""
    return math.log(chains / ess)


def _verdict(exact: bool, doubt: float) -> str:
    if exact:
        return "log Z is exact"
    if doubt <= AGREEMENT:
        return f"two estimates of log Z agree within {doubt:.2g} nats"
    return f"two estimates of log Z lie {doubt:.1f} nats apart: the lower figure is given; more betas bring them together"
