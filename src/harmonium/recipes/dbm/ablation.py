"""What a deep Boltzmann machine is without its upper layer: the same machine with the upper weights zero and the biases refitted."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from harmonium.couplings import Dense
from harmonium.learning import MomentumSGD, PersistentCD, Progress, Schedule, fit
from harmonium.learning.cases import Data
from harmonium.models import DBM, RBM
from harmonium.runs.folder import Run
from harmonium.units import Bernoulli

PHASE = "biases without the upper layer"
CHAINS = 200
RATE = 0.1  # at first; it falls linearly to zero


@torch.no_grad()
def without_upper(dbm: DBM, v: Tensor) -> RBM:
    """The RBM of the two lowest of three binary layers: with upper weights of zero the third is independent, and log p(v) is the RBM's.

    Its hidden biases take over the mean of what the upper layer sends to them while the data are `v`, (cases, pixels): else the machine
    would lose what a constant can give, which is no merit of the upper layer.
    """
    pixels, hidden, _ = dbm.layers
    rbm = RBM(Bernoulli(*pixels.shape), Bernoulli(*hidden.shape), Dense(*pixels.shape, *hidden.shape))
    rbm.coupling.get_parameter("weight").copy_(dbm.couplings[0].matrix())
    rbm.visible.get_parameter("bias").copy_(pixels.get_parameter("bias"))
    above = dbm.even.split(dbm.mean_field(v, tolerance=1e-4).phase.v)[1]
    sent = dbm.chain.from_above(1, dbm.layers[2].statistic(above)).mean(0)
    rbm.hidden.get_parameter("bias").copy_(hidden.get_parameter("bias") + sent)
    return rbm.to(pixels.get_parameter("bias"))


def refitted(run: Run, rbm: RBM, data: Data, *, epochs: int, seed: int) -> RBM:
    """The machine with its biases, and these alone, learnt on by persistent CD; averaged over the last tenth of the updates.

    Parameters
    ----------
    run
        The folder of the run.
    rbm
        The machine, which learns in place.
    data
        What it learns from.
    epochs, seed
        As for `fit`.
    """
    state = fit(
        rbm,
        data,
        negative=PersistentCD(CHAINS),
        epochs=epochs,
        batch_size=CHAINS,
        optimizer=partial(biases_alone, lr=RATE),
        schedule=partial(Schedule, lr=lambda epoch: 1 - epoch / epochs),
        averaging=0.1,
        precision=run.precision,
        capture=next(rbm.parameters()).is_cuda,
        seed=seed,
        callbacks=[Progress(PHASE)],
        checkpoint=run.checkpoint(PHASE),
        progress=False,
    )
    found = state.averaged()
    assert isinstance(found, RBM)
    return found


def biases_alone(groups: list[dict[str, Any]], *, lr: float) -> MomentumSGD:
    """An optimiser of `fit`'s two groups, the weights and the biases, that leaves the weights where they are."""
    weights, biases = groups
    return MomentumSGD([{**weights, "lr": 0.0}, biases], lr=lr)
