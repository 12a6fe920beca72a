"""What learnt features are compared with: machines that learn from the pixels and labels alone, without layers learnt before."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial

from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor, nn

from harmonium.data.mnist_variations import Cases
from harmonium.learning import MomentumSGD, Schedule, fine_tune, predict
from harmonium.recipes.norb_reduced.conv_nets import lenet, rectify_normalise_pool
from harmonium.recipes.shared.feature_layers import standardised
from harmonium.recipes.shared.kept_figure import kept
from harmonium.recipes.shared.norb_views import Views, held_out, split
from harmonium.recipes.shared.run_phase import in_run
from harmonium.recipes.shared.vector_machine import searched
from harmonium.runs.folder import Run
from harmonium.seeds import derive

NETS: dict[str, Callable[[int], nn.Sequential]] = {"conv_net": lenet, "rectify_normalise_pool": rectify_normalise_pool}


@dataclasses.dataclass(frozen=True)
class Baselines:
    """What is tried of them. A training toy of each category decides between costs, widths and numbers of neighbours."""

    neighbours: tuple[int, ...] = (1, 3, 5)
    costs: tuple[float, ...] = (1.0, 10.0)
    """C of the support vector machines with a Gaussian kernel."""
    widths: tuple[float, ...] = (1.0, 3.0)
    """Their γ, times the number of pixels times their variance."""
    epochs: int = 20
    """Of the convolutional nets."""
    batch_size: int = 50
    learning_rate: float = 0.02
    """At first; it falls linearly to zero."""


def errors(run: Run, views: Views, how: Baselines, seed: int, *, tuning: bool) -> dict[str, float]:
    """The share of the judged views that is taken for another category, in percent, by machine.

    Parameters
    ----------
    run
        The folder of the run, which keeps each error.
    views
        All views.
    how
        What is tried.
    seed
        The seed of the nets, and of the toys that decide.
    tuning
        Whether those toys are the ones to be judged on.
    """
    rows = split(views, seed, tuning=tuning)
    pixels = standardised(views.pixels, rows.learnt_from, 1.0)
    learnt, judged = (Cases(pixels[each], views.categories[each]) for each in rows)
    deciding = held_out(views, seed)
    few, valid = (Cases(pixels[each], views.categories[each]) for each in (views.training & ~deciding, deciding))

    def vector_machine() -> float:
        found = searched(few, valid, judged, how.costs, how.widths)
        return found.validation if tuning else found.test

    def nearest() -> float:
        tried = {count: neighbours_error(few, valid, count) for count in how.neighbours}
        best = min(tried, key=tried.__getitem__)
        return tried[best] if tuning else neighbours_error(learnt, judged, best)

    found = {"nearest_neighbours": kept(run, "nearest neighbours error", nearest), "svm": kept(run, "svm error", vector_machine)}
    for place, (name, net) in enumerate(NETS.items()):
        found[name] = net_error(run, name.replace("_", " "), net(derive(seed, 3, place)), learnt, judged, how, seed)
    return found


def neighbours_error(learnt: Cases, judged: Cases, count: int) -> float:
    """Of the vote of so many neighbours."""
    machine = KNeighborsClassifier(count, algorithm="brute").fit(learnt.images.numpy(), learnt.labels.numpy())
    return percent_wrong(judged.labels.new_tensor(machine.predict(judged.images.numpy())), judged)


def net_error(run: Run, phase: str, net: nn.Sequential, learnt: Cases, judged: Cases, how: Baselines, seed: int) -> float:
    """Of a net that learns by backpropagation from its random weights.

    Parameters
    ----------
    run, phase
        The folder of the run, and the name of the phase.
    net
        The net, which learns in place.
    learnt, judged
        The cases to learn from, and those to be judged on.
    how, seed
        How it learns, and the seed of the order of the cases.
    """
    in_run(run, phase, fine_tune)(
        net,
        learnt.images,
        learnt.labels,
        epochs=how.epochs,
        head_epochs=0,
        batch_size=how.batch_size,
        optimizer=partial(MomentumSGD, lr=how.learning_rate, momentum=0.9),
        schedule=partial(Schedule, lr=lambda epoch: 1 - epoch / how.epochs),
        seed=derive(seed, 4),
    )
    return percent_wrong(predict(net, judged.images).argmax(1), judged)


def percent_wrong(said: Tensor, judged: Cases) -> float:
    """The share of wrong labels in percent.

    Parameters
    ----------
    said, judged
        A label of each case, (cases,), and the cases.
    """
    return 100 * (said != judged.labels).double().mean().item()
