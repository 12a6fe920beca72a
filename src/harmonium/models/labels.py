"""Label units beside the other visible units of an RBM, or of the top RBM of a deep belief net.

A layer's shape does not make it a layer of labels. A net declares its labels, `DBN(rbms, labels=True)`. A call of a function here declares
that the RBM has labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from harmonium.data.tables import as_tensor
from harmonium.models.rbm import RBM
from harmonium.units import NOTHING, Given, Groups, Softmax, Unit

if TYPE_CHECKING:
    from harmonium.models.dbn import DBN

BLOCK = 1000  # cases per block of work


def labelled(rbm: RBM) -> tuple[Unit, Softmax]:
    """The two parts of a visible layer `Groups(others, Softmax(1, categories=K))`: the other units and the labels.

    Raises a ValueError for any other layer.
    """
    parts = list(rbm.visible.layers()) if isinstance(rbm.visible, Groups) else []
    if len(parts) == 2 and isinstance(parts[1], Softmax) and parts[1].groups == 1:
        return parts[0], parts[1]
    raise ValueError(f"expected a visible layer Groups(others, Softmax(1, categories=...)), the labels last, found {rbm.visible}")


def machine_of_labels(model: RBM | DBN) -> tuple[RBM, Unit]:
    """The RBM that contains the label units, and the data's layer. Raises a ValueError for models without labels."""
    if isinstance(model, RBM):
        return model, labelled(model)[0]
    if model.labels is None:
        raise no_labels()
    return model.top, model.visible


def no_labels() -> ValueError:
    """The error for nets without labels."""
    return ValueError(
        "this net has no label units: learn it with hm.greedy(..., labels=, classes=), or make it with hm.DBN(rbms, labels=True). The top "
        "RBM's visible layer is then Groups(units, Softmax(1, categories=K)), the labels last"
    )


def check_labels(labels: Any, cases: int, classes: int) -> Tensor:
    """Labels as an int64 tensor, (cases,). Raises a ValueError unless they are one integer per case from 0 to `classes` - 1."""
    found = as_tensor(labels)
    if found.shape != (cases,) or found.is_floating_point() or found.dtype == torch.bool:
        raise ValueError(f"expected {cases} integer labels, one per case, found shape {tuple(found.shape)} of {found.dtype}")
    if cases and (int(found.min()) < 0 or int(found.max()) >= classes):
        raise ValueError(f"expected labels from 0 to {classes - 1}, found values from {int(found.min())} to {int(found.max())}")
    return found.long()


def with_labels(x: Tensor, labels: Tensor, classes: int) -> Tensor:
    """States of the other units, (cases, size), beside one-hot labels: (cases, size + classes). `labels`: (cases,) integers."""
    one_hot = torch.zeros(len(x), classes, dtype=x.dtype, device=x.device)
    return torch.cat([x, one_hot.scatter_(1, labels.to(x.device).long()[:, None], 1.0)], dim=1)


def label_rows(rbm: RBM) -> Tensor:
    """The contribution of each label to the hidden layer's input: (K, *hidden.statistic_shape)."""
    return rbm.coupling.bilinear(_statistics_of_labels(rbm))


def _statistics_of_labels(rbm: RBM) -> Tensor:
    """The visible statistic of each label with all else zero: (K, *visible.statistic_shape)."""
    others, labels = labelled(rbm)
    eye = torch.eye(labels.categories, dtype=labels.bias.dtype, device=labels.bias.device)
    return torch.cat([eye.new_zeros(len(eye), *others.statistic_shape), eye], dim=1)


def without_labels(rbm: RBM, x: Tensor) -> Tensor:
    """Visible states in which no label is on: (*leading, *visible.shape)."""
    return torch.cat([x, x.new_zeros(*x.shape[:-1], labelled(rbm)[1].categories)], dim=-1)


def label_free_energy(rbm: RBM, x: Tensor, given: Given = NOTHING) -> Tensor:
    """F(x, y = k) of every label k, exact for any units.

    Parameters
    ----------
    rbm : RBM
        Its visible layer is `Groups(others, Softmax(1, categories=K))`. The last part holds the labels.
    x : Tensor
        (cases, size), states of the others.
    given : Given, optional
        Side information about each case. The contribution of a context is included.

    Returns
    -------
    Tensor
        (cases, K), free energies in nats. p(y = k | x) = softmax(-F). log Σ_k exp(-F) is -F(x), with the labels summed out.

    Raises
    ------
    ValueError
        For machines without labels.

    Notes
    -----
    For binary hidden units, and without the energy of x, this is (Hinton, Osindero & Teh 2006, section 6)

        F(x, y = k) = -b_k - Σ_j softplus(c_j + (W'x)_j + U_kj)

    The hidden layer's input from x is computed once. Each label adds its own row to it.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> from harmonium.models import label_free_energy
    >>> rbm = hm.RBM(hm.Groups(hm.Bernoulli(6), hm.Softmax(1, categories=3)), hm.Bernoulli(4))
    >>> p = torch.softmax(-label_free_energy(rbm, torch.ones(2, 6)), dim=1)
    >>> tuple(p.shape)
    (2, 3)
    """
    _, labels = labelled(rbm)
    visible, coupling = rbm.visible, rbm.coupling
    v = without_labels(rbm, x)
    given = visible.given_by(v, given)
    s_x, s_labels = visible.statistic(v, given), _statistics_of_labels(rbm)
    input, rows = coupling.to_hidden(s_x, given), coupling.bilinear(s_labels)
    alone = visible.energy(v, given) - coupling.visible_alone(s_x, given)
    of_labels = -labels.bias[:, None] - coupling.visible_alone(s_labels[:, None], given)
    # One label at a time: the inputs for all labels of ten thousand cases would not fit the cache, and often not the memory.
    return torch.stack([alone + own - rbm.hidden.log_partition(input + row) for own, row in zip(of_labels, rows, strict=True)], dim=-1)


@torch.no_grad()
def label_log_probability(
    model: RBM | DBN, v: Tensor, *, generator: torch.Generator | None = None, passes: int = 1, given: Given = NOTHING
) -> Tensor:
    """log p(y = k | v) of every label k.

    Parameters
    ----------
    model : RBM or DBN
        A model with label units.
    v : Tensor
        (cases, *shape), data, as `hm.fit` takes them. For an RBM, the visible units without the labels.
    generator : torch.Generator, optional
        With a generator the up-pass through a net's directed layers is stochastic.
    passes : int, default 1
        Number of stochastic up-passes.
    given : Given, optional
        Side information about each case.

    Returns
    -------
    Tensor
        (cases, K), in nats.

    Raises
    ------
    ValueError
        For models without labels, data outside the units' support, and several passes without a generator.

    Notes
    -----
    The result is exact for an RBM. For a deep belief net it is softmax(-F) of the top RBM after an up-pass. By default the up-pass takes
    means, which is the protocol of Hinton's published error rates. The free energy is then evaluated between the states of binary units.
    That is no probability of the model, but it classifies as well as about twenty stochastic passes (Hinton, Osindero & Teh 2006, section
    6.1). With a `generator` the result is log E_Q[p(y | x_L)], the logarithm of the mean probability over `passes` stochastic up-passes.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> from harmonium.models import label_log_probability
    >>> rbm = hm.RBM(hm.Groups(hm.Bernoulli(6), hm.Softmax(1, categories=3)), hm.Bernoulli(4))
    >>> p = label_log_probability(rbm, torch.ones(2, 6)).exp()
    >>> torch.allclose(p.sum(1), torch.ones(2))
    True
    """
    if passes < 1 or (passes > 1 and generator is None):
        raise ValueError(f"expected at least one pass, and a generator for more than one, found {passes=} and {generator=}")
    v = as_tensor(v)
    rbm, bottom = machine_of_labels(model)
    like, found = rbm.visible.zero_input(), []
    bottom.check(v)
    for start in range(0, len(v), BLOCK):
        x = bottom.from_data(v[start : start + BLOCK], like)
        side = given.rows(slice(start, start + BLOCK))
        each = [_log_probability(model, rbm, x, generator, side) for _ in range(passes)]
        found.append(each[0] if passes == 1 else torch.stack(each).logsumexp(0) - torch.tensor(float(passes)).log().item())
    return torch.cat(found)


def _log_probability(model: RBM | DBN, rbm: RBM, x: Tensor, generator: torch.Generator | None, given: Given) -> Tensor:
    """After one up-pass: (cases, K)."""
    if not isinstance(model, RBM):
        x = model.up(x, generator=generator, given=given)
        given = model.machine_given(given)
    return torch.log_softmax(-label_free_energy(rbm, x, given), dim=-1)
