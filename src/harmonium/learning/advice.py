"""What a user should know of a training that went on without an error."""

from __future__ import annotations

import math
import sys
import warnings

import torch
from torch import Tensor

from harmonium.learning.loop.state import TrainingState
from harmonium.learning.monitor import Monitor
from harmonium.models import DBM, RBM, MixtureOfRBMs
from harmonium.processes import is_first
from harmonium.units import Unit
from harmonium.units.groups import leaves
from harmonium.units.scaled import Scaled

ENOUGH = 300  # updates before which nothing is said of what was learnt
STILL = 0.01  # standard deviation over cases of a hidden unit's mean below which it tells nothing of the case
ALIKE = 0.99  # correlation of two hidden units over cases from which they are copies
SEEN = 10  # cases per component from which one that is chosen for none of them is called dead
SHARE = 0.25  # share of the hidden units from which it is said
DOUBTLESS = 20.0  # input at which a binary unit is on in all but 2e-9 of its draws
BEYOND = 50 * DOUBTLESS  # of half the inputs; the recipes' machines in smoke mode have 13 at most, means included
FAR, NONE = 10.0, 1e-6  # ratios of the data's variance and a fixed one; data below the last are constant


class Advice(UserWarning):
    """The category of warnings that say what would make better use of a training that went on without an error.

    Parameters
    ----------
    text : str
        The sentence.

    Examples
    --------
    >>> import warnings
    >>> import harmonium as hm
    >>> warnings.simplefilter("ignore", hm.Advice)  # from here on nothing is said
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)


def of_training(state: TrainingState, model: RBM | DBM, monitor: Monitor) -> None:
    """Warn of what is wrong with a machine that was learnt: of its weights alone, if it is they."""
    if not of_weights(model, monitor):
        of_hidden_units(state, model, monitor)
        of_components(state, model, monitor)


@torch.no_grad()
def of_weights(model: RBM | DBM, monitor: Monitor) -> bool:
    """Warn if bounded hidden units' inputs differ between cases by more than data could teach, and say whether.

    Such weights are finite, and noise.
    """
    rows, machine = monitor.rows_for_base_rates, model.machine
    if rows is None or machine.hidden.count == math.inf or not is_first():
        return False
    inputs = machine.hidden_input(rows, model.machine_given(monitor.known))
    size = float((inputs - inputs.mean(0)).abs().median())
    if size > BEYOND:
        warn(
            f"half of the hidden units' inputs are {size:.1e} or more from their means, and {DOUBTLESS:g} leaves a unit no doubt: weights "
            "so large are noise, so take a far lower learning rate, or none (fit then chooses it)"
        )
    return size > BEYOND


@torch.no_grad()
def of_hidden_units(state: TrainingState, model: RBM | DBM, monitor: Monitor) -> None:
    """Warn if hidden units of an RBM do not depend on the data, or are copies of each other."""
    rows = monitor.rows_for_base_rates
    if rows is None or len(rows) < 2 or state.step < ENOUGH or not isinstance(model, RBM) or not is_first():
        return
    if isinstance(model, MixtureOfRBMs):  # a unit that is on whenever its component is chosen counts as no copy
        return
    means = model.hidden_mean(rows, monitor.known).flatten(1)
    still = means.std(0) < STILL
    count, total = int(still.sum()), len(still)
    if count == total:
        warn(
            f"after {state.step} updates no hidden unit depends on the data, so the machine knows base rates alone: give it more updates, "
            "or a higher learning rate"
        )
        return
    x = means[:, ~still] - means[:, ~still].mean(0)
    x = x / x.norm(dim=0)
    copies = int((torch.tril(x.mT @ x, diagonal=-1).abs() > ALIKE).any(1).sum())
    if max(count, copies) < max(2.0, SHARE * total):
        return
    found = " and ".join(
        text for number, text in ((count, f"{count} do not depend on the data"), (copies, f"{copies} are copies")) if number
    )
    warn(f"of {total} hidden units {found}: more updates, fewer hidden units, or a sparsity target makes better use of them")


@torch.no_grad()
def of_components(state: TrainingState, model: RBM | DBM, monitor: Monitor) -> None:
    """Warn if components of a mixture are chosen for no case."""
    rows = monitor.rows_for_base_rates
    if rows is None or not isinstance(model, MixtureOfRBMs) or state.step < ENOUGH or not is_first():
        return
    total = model.hidden.choices
    dead = total - int((torch.bincount(model.cluster(rows, monitor.known), minlength=total) > 0).sum())
    if dead and len(rows) >= SEEN * total:
        warn(
            f"of {total} components {dead} are chosen for none of {len(rows)} cases: raise balance= or temperature= of "
            "hm.MixtureOfRBMs, or take fewer components"
        )


@torch.no_grad()
def of_fixed_variances(visible: Unit, rows: Tensor) -> None:
    """Warn if the variance of the data is far from that of units whose variance is fixed."""
    if len(rows) < 2 or not is_first():
        return
    variances = rows.flatten(1).var(0)
    for first, last, leaf in leaves(visible):
        if not isinstance(leaf, Scaled) or leaf.bounds(None):
            continue
        ratio = float((variances[first:last] / leaf.log_variance.exp().expand(leaf.shape).flatten()).median())
        if ratio > FAR or NONE < ratio < 1 / FAR:
            warn(
                f"the variance of the data is {ratio:.3g} times that of the {type(leaf).__name__} units, which is fixed: give the units "
                "learn_variance=True, or standardise the data"
            )


def warn(text: str) -> None:
    """A warning that points at the line outside the library that trains."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in ("harmonium", "torch"):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, Advice, stacklevel=level)
