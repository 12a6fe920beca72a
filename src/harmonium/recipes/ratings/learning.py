"""How rating machines learn: contrastive divergence, then the prediction of each rating from the case's others."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import nullcontext

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer, SparseAdam

from harmonium.couplings.products import Precision, reduced_type
from harmonium.recipes.ratings.rating_machine import Rated, RatingMachine, rows_at
from harmonium.seeds import derive, fresh_generator

Loss = Callable[[Rated, torch.Generator], Tensor]


@dataclasses.dataclass(frozen=True)
class Learning:
    """How long and how a machine learns."""

    contrastive: int = 4
    """Epochs of contrastive divergence."""
    predictive: int = 4
    """Epochs of predicting each rating from the case's others, after them."""
    steps: int = 1
    """Of Gibbs sampling, in contrastive divergence."""
    batch: int = 64
    """Cases."""
    rate: float = 0.02
    """Of Adam; it falls to zero in each of the two parts."""
    shrinkage: float = 1.0
    """Precision of a normal prior of each item's own weights around zero, once an item."""
    rated_shrinkage: float = 1.0
    """The same of an item's weights D, by which hidden units see that it is rated."""
    bias_shrinkage: float = 1.0
    """The same of an item's biases around where they begin."""
    prior: float = 5.0
    """Ratings of average value that the biases begin with beside an item's own."""


def contrastive(machine: RatingMachine, steps: int) -> Loss:
    """Its gradient is that of contrastive divergence: the free energy of the data less that of reconstructions."""

    def loss(seen: Rated, generator: torch.Generator) -> Tensor:
        return (machine.free_energy(seen) - machine.free_energy(machine.reconstruction(seen, steps, generator))).sum()

    return loss


def predictive(machine: RatingMachine) -> Loss:
    """-log p(rating | hidden means given the case's other ratings), summed over ratings."""

    def loss(seen: Rated, generator: torch.Generator) -> Tensor:
        return -machine.visible.log_probability(seen.states, machine.without_itself(seen)).sum().float()

    return loss


@torch.no_grad()
def start(machine: RatingMachine, seen: Rated, prior: float) -> None:
    """Biases that give the average item the shares of all ratings, and each item those of its own beside `prior` such ratings."""
    machine.visible.init_from(seen.states)
    mean = seen.states.mean(0)
    items = len(machine.bias)
    totals = seen.states.new_zeros(items, len(mean)).index_add(0, seen.item, seen.states)
    counts = torch.bincount(seen.item, minlength=items)[:, None]
    machine.bias.copy_(machine.visible.base_input((totals + prior * mean) / (counts + prior)))


def learn(
    machine: RatingMachine, seen: Rated, how: Learning, loss: Loss, epochs: int, seed: int, precision: Precision = "float32"
) -> Iterator[float]:
    """Trains in place, epoch by epoch, and gives the mean loss of a rating after each.

    Parameters
    ----------
    machine, seen
        The machine, and the ratings that it learns from.
    how
        The rate, the batches and the priors.
    loss
        Of a batch, summed.
    epochs
        Their number.
    seed
        Of the order and of all draws.
    precision
        Of the products, as for `hm.fine_tune`.
    """
    dtype = reduced_type(precision, seen.states)
    rows, item_counts = machine.rows, torch.bincount(seen.item, minlength=len(machine.bias)).clamp_min(1)
    known_counts = torch.bincount(seen.known_item, minlength=len(machine.bias)).clamp_min(1)
    shared = [each for name, each in machine.named_parameters() if name not in rows]
    optimizers: list[Optimizer] = [Adam(shared, how.rate, (0.9, 0.99)), SparseAdam(list(rows.values()), how.rate, (0.9, 0.99))]
    began = machine.bias.detach().clone()
    for epoch in range(epochs):
        generator, total = fresh_generator(seen.states, derive(seed, epoch)), 0.0
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = how.rate * (1 - epoch / epochs)
        for chosen in torch.split(torch.randperm(seen.cases, generator=generator, device=generator.device), how.batch):
            part = seen.of(chosen)
            if not len(part.item):
                continue
            with nullcontext() if dtype is None else torch.autocast(generator.device.type, dtype):
                found = loss(part, generator)
            cost = shrunk(machine.own, part.item, item_counts, how.shrinkage) + shrunk(
                machine.bias, part.item, item_counts, how.bias_shrinkage, began
            )
            if machine.rated is not None:
                cost = cost + shrunk(machine.rated, part.known_item, known_counts, how.rated_shrinkage)
            torch.autograd.backward((found + cost) / len(part.item))
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()
            total += found.item()
        yield total / len(seen.item)


def shrunk(rows: Tensor, items: Tensor, counts: Tensor, precision: float, around: Tensor | None = None) -> Tensor:
    """-log of a normal prior of these items' rows, each by the share that these are of its ratings: an epoch has it once."""
    touched, times = torch.unique(items, return_counts=True)
    found = rows_at(rows, touched)
    if around is not None:
        found = found - around[touched]
    squares: Tensor = (found.square().sum(1) * times / counts[touched]).sum()
    return precision / 2 * squares
