"""Training a stack of RBMs, one layer at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harmonium.couplings import Coupling
from harmonium.data.batches import BLOCK, ArrayRows, Source
from harmonium.data.tables import as_data, as_tensor
from harmonium.learning.cases import Data, GivenRows, LabelledRows, as_rows
from harmonium.learning.fit import fit
from harmonium.learning.held_out import HeldOut
from harmonium.learning.loop.state import TrainingState
from harmonium.learning.loop.trainer import as_callbacks
from harmonium.learning.per_layer import PerLayer, check_layers, of_layer
from harmonium.learning.replicas.dispatch import or_many
from harmonium.learning.replicas.greedy_replicas import greedy_replicas
from harmonium.models import DBN, RBM
from harmonium.models.dbn import above
from harmonium.models.labels import check_labels, labelled
from harmonium.sampling.clamped import draw_missing
from harmonium.seeds import derive, fresh_generator
from harmonium.units import NOTHING, Given, Groups, Softmax, Unit
from harmonium.units.as_layer import as_layers
from harmonium.units.groups import check_distinct

SWEEPS = 5  # of clamped Gibbs sampling for the features of cases with missing values

Train = Callable[[RBM, Any, int], TrainingState]


@or_many(greedy_replicas)
def greedy(
    data: Data,
    layers: Sequence[Unit | int],
    *,
    couplings: Sequence[Coupling | None] | None = None,
    labels: Tensor | np.ndarray[Any, Any] | Sequence[int] | None = None,
    classes: int | None = None,
    given: Given = NOTHING,
    seed: int = 0,
    train: Train | None = None,
    checkpoints: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> DBN:
    """Train an RBM on the data, then the next one on the means of its hidden units, and so on, and stack them (Hinton et al. 2006).

    Parameters
    ----------
    data : Tensor, array, Source or iterable
        Cases, (cases, *shape), as for `fit`.
    layers : sequence of Unit or int
        The units from the data upwards, at least two layers; a number is a layer of as many binary units. `layers[0]` are the visible ones.
    couplings : sequence of Coupling or None, optional
        One between each pair of neighbouring layers, None for a dense one. By default all are dense.
    labels : sequence of int, optional
        Labels, (cases,), from 0 to `classes` - 1. They stand one-hot beside the top machine's visible units, so the net models data and
        labels jointly (`DBN.labels`).
    classes : int, optional
        Number of classes, at least two.
    given : Given, optional
        What is given of each case, as for `fit`. The layers above the first see only the context.
    seed : int, default 0
        Seed from which those of all layers derive.
    train : callable, optional
        `train(rbm, data, index)` trains each layer in place of `fit`, where layers differ in their settings.
    checkpoints : path-like, optional
        A folder with one checkpoint per layer. An interrupted stack resumes from it.
    **settings
        Arguments of `fit` for every layer; a `PerLayer` has one value for each. With labels, a `validation` of (data, labels) is used in
        every layer, and one of data alone in the layers below the top. `replicas=R` trains R stacks together, each as alone with the seed
        `seed` + r, or with seed number r of a sequence, and from the cases with the numbers `rows`, (replicas, cases), if these are given.
        Other settings of replicas are as for `fit`.

    Returns
    -------
    DBN
        The stack; of replicas a list of stacks.

    Raises
    ------
    ValueError
        For labels that do not fit, for labels with an iterable of batches (its cases have no numbers), for an iterator that can be used
        only once, for fewer than two layers, for one object as two layers, for another number of couplings or of values of a `PerLayer`,
        for both `train` and `settings`, and for an `HeldOut` among the callbacks of several layers.
    TypeError
        If a layer is neither units nor a number.

    Notes
    -----
    See Hinton, Osindero & Teh (2006), doi:10.1162/neco.2006.18.7.1527. A hidden layer of Gaussian units has a fixed variance in its own
    machine. As the visible layer of the next one it learns another, no smaller one, unless its variance was named.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> dbn = hm.greedy(torch.eye(6), [hm.Bernoulli(6), hm.Bernoulli(5), hm.Bernoulli(4)], epochs=2, progress=False)
    >>> len(dbn.rbms)
    2
    """
    units = as_layers(layers)
    if len(units) < 2:
        raise ValueError(f"a stack needs its visible units and at least one hidden layer, found {len(units)} layers")
    if train is not None and settings:
        raise ValueError(f"train= sets the training of each layer, and cannot be combined with other settings, found {', '.join(settings)}")
    check_distinct(*units)
    check_layers(settings, len(units) - 1)
    if "callbacks" in settings and not isinstance(settings["callbacks"], PerLayer):
        settings["callbacks"] = as_callbacks(settings["callbacks"])
        if len(units) > 2 and any(isinstance(each, HeldOut) for each in settings["callbacks"]):
            raise ValueError(
                f"an hm.HeldOut has cases of one layer, and a stack has {len(units) - 1} with features of their own: give validation= and "
                "patience=, or train= with an hm.HeldOut for each layer"
            )
    data = as_data(data)
    if not isinstance(data, Tensor | np.ndarray | Source) and iter(data) is data:
        raise ValueError("a stack reads its data once per layer, and an iterator can be read only once: give an iterable that restarts")
    if couplings is not None and len(couplings) != len(units) - 1:
        raise ValueError(f"{len(units)} layers have {len(units) - 1} couplings between them, found {len(couplings)}")
    known = _labels(data, labels, classes)
    validation, validation_given = settings.pop("validation", None), settings.pop("validation_given", NOTHING)
    held_labels = None
    if known is not None and isinstance(validation, tuple):
        validation, held_labels = validation
        held_labels = _labels(validation, held_labels, classes)
    rbms: list[RBM] = []
    for index, hidden in enumerate(units[1:]):
        visible = units[0] if index == 0 else units[index].as_visible_layer().to(units[index].zero_input())
        joint = known if index == len(units) - 2 else None
        if joint is not None:
            visible = Groups(visible, Softmax(1, categories=joint[1]).to(visible.zero_input()))
        coupling = None if couplings is None else couplings[index]
        rbm, below = RBM(visible, hidden, coupling, seed=derive(seed, index)), features(data, *rbms, given=given)
        below = _beside(rbm, below, joint)
        if train is not None:
            train(rbm, below, index)
        else:
            path = None if checkpoints is None else Path(checkpoints) / f"layer-{index + 1}.safetensors"
            watched = validation is not None and (joint is None or held_labels is not None)
            held_out = _beside(rbm, features(validation, *rbms, given=validation_given), joint and held_labels) if watched else None
            side, held_side = (each if index == 0 else above(each) for each in (given, validation_given))
            settings |= {"given": side, "validation": held_out, "validation_given": held_side}
            fit(rbm, below, seed=derive(seed, index), checkpoint=path, **of_layer(settings, index))
        del below  # frees memory before the next layer's data are computed
        rbms.append(rbm)
    return DBN(rbms, labels=known is not None)


def _labels(data: Any, labels: Any, classes: int | None) -> tuple[Tensor, int] | None:
    """Labels checked against the data, and the number of classes; None for no labels."""
    if labels is None:
        if classes is not None:
            raise ValueError(f"classes={classes} takes labels=, found none")
        return None
    if not isinstance(data, Tensor | np.ndarray | Source):
        raise ValueError("labels take data that can be indexed by case number: a tensor, array or Source")
    if classes is None or classes < 2:
        raise ValueError(f"labels need classes=, the number of classes, at least two, found {classes}")
    return check_labels(labels, len(data), classes), classes


def _beside(rbm: RBM, rows: Any, labels: tuple[Tensor, int] | None) -> Any:
    """Features and one-hot labels side by side, if there are labels."""
    if labels is None:
        return rows
    like = next(rbm.parameters()).detach()
    return LabelledRows(as_rows(labelled(rbm)[0], rows, like), *labels)


class _StreamOfFeatures:
    """Each batch's hidden means, computed when the batch is read, with its weights."""

    def __init__(self, rbms: Sequence[RBM], batches: Iterable[Any]) -> None:
        self.rbms, self.batches = rbms, batches

    def __iter__(self) -> Iterator[Any]:
        for item in self.batches:
            rows, *weights = item if isinstance(item, tuple | list) else (item,)
            means = features(as_tensor(rows), *self.rbms)
            yield (means, *weights) if weights else means


class _Features:
    """A source of the top hidden units' means, or samples, computed anew at each visit."""

    def __init__(self, source: Source, given: GivenRows, rbms: Sequence[RBM], sampled: bool) -> None:
        self.source, self.given, self.rbms, self.sampled = source, given, rbms, sampled

    def __len__(self) -> int:
        return len(self.source)

    @torch.no_grad()
    def rows(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        v, given = self.source.rows(indices, generator), self.given.rows(indices)
        v, given = draw_missing(self.rbms[0], v, given, steps=SWEEPS, generator=generator)
        for rbm in self.rbms:
            given = rbm.visible.given_by(v, given)
            h = rbm.sample_hidden(v, generator=generator, given=given) if self.sampled else rbm.hidden_mean(v, given)
            v, given = rbm.hidden.output(h), above(given)
        return v


@torch.no_grad()
def features(data: Data, *rbms: RBM, sampled: bool = False, given: Given = NOTHING) -> Any:
    """Compute the means of the top hidden units of a stack, from the bottom up: the data of the next machine.

    Parameters
    ----------
    data : Tensor, array, Source or iterable
        Cases, (cases, *visible.shape), as for `fit`.
    *rbms : RBM
        The machines from the bottom up. Without any, the data are returned as they are.
    sampled : bool, default False
        Return stochastic up-passes, drawn anew at each visit, in place of means. The next layer models them in the variational bound.
    given : Given, optional
        What is given of each case.

    Returns
    -------
    Tensor, Source or iterable
        For an array in memory a tensor, (cases, *hidden.output_shape), computed a block at a time: no intermediate layer is held in full.
        For a memory map, a sparse matrix or a source, which may draw each visit anew, and with `sampled`, a source. For an iterable of
        batches, an iterable of batches.

    Raises
    ------
    ValueError
        For `sampled` or `given` with an iterable of batches.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> hm.learning.features(torch.eye(6), rbm).shape
    torch.Size([6, 4])
    """

    data = as_data(data)
    if not rbms:
        return data
    if not isinstance(data, Tensor | np.ndarray | Source):
        if sampled or given:
            what = "samples of the layers of a stack need" if sampled else "what is given of each case needs"
            raise ValueError(f"{what} data that can be indexed by case number: a tensor, array or Source")
        return _StreamOfFeatures(rbms, data)
    like = next(rbms[0].parameters()).detach()
    beside = GivenRows(given, rbms[0].visible, len(data), like)
    source = as_rows(rbms[0].visible, data, like, beside)
    risen = _Features(source, beside, rbms, sampled)
    if sampled or not isinstance(source, ArrayRows):
        return risen
    draws = fresh_generator(like, 0)  # for missing values only
    means = torch.empty(len(source), *rbms[-1].hidden.output_shape, dtype=like.dtype, device=like.device)
    for block in torch.split(torch.arange(len(source)), BLOCK):
        means[block[0] : block[-1] + 1] = risen.rows(block, draws)
    return means
