"""The log-probability of single frames, each given its own past, with a log Z for each that is exact."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from harmonium.models import RBM
from harmonium.models.enumerate_states import enumerate_states
from harmonium.units import Given

MOST = 20  # hidden units that are enumerated
BLOCK = 2**22  # visible probabilities that are held at once


@torch.no_grad()
def log_z_by_step(rbm: RBM, contexts: Tensor) -> Tensor:
    """log Z of a conditional RBM for each context, by the sum over all hidden states.

    Parameters
    ----------
    rbm
        With at most 20 binary hidden units.
    contexts
        (steps, context).

    Returns
    -------
    Tensor
        (steps,) float64, in nats.

    Raises
    ------
    ValueError
        For more hidden units.
    """
    states = enumerate_states(rbm.hidden, 2**MOST, "an exact log Z for each step")
    rows = max(1, BLOCK // (len(states) * rbm.visible.shape[0]))
    found = []
    for context in torch.split(contexts, rows):
        energies = rbm.hidden_free_energy(states[:, None].expand(-1, len(context), -1), Given(context=context[None]))
        found.append(torch.logsumexp(-energies.double(), dim=0))
    return torch.cat(found)


@torch.no_grad()
def nats_by_step(rbm: RBM, frames: Tensor, contexts: Tensor) -> Tensor:
    """log p(frame | context): (steps,) float64 of (steps, notes) and (steps, context)."""
    return -rbm.free_energy(frames.float(), Given(context=contexts)).double() - log_z_by_step(rbm, contexts)


def steps_of(pieces: Iterable[Tensor], contexts: Callable[[Tensor], Tensor], chosen: Tensor) -> Tensor:
    """The contexts of some frames, (steps, context), by their numbers among the frames of all pieces.

    Parameters
    ----------
    pieces
        (time, notes) each.
    contexts
        Of a piece: (time, context).
    chosen
        (steps,), the numbers.
    """
    return torch.cat([contexts(piece.float()) for piece in pieces])[chosen]
