"""Label units beside the other visible units of an RBM, or of the top one of a deep belief net.

Nothing is taken for labels because of what it looks like: a net is told of them, `DBN(rbms, labels=True)`, and whoever asks for an RBM's
labels by the functions here names them so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from harmonium.models.rbm import RBM
from harmonium.units import Given, Groups, Softmax, Unit

if TYPE_CHECKING:
    from harmonium.models.dbn import DBN

BLOCK = 1000  # cases looked at together


def labelled(rbm: RBM) -> tuple[Unit, Softmax]:
    """The two parts of a visible layer `Groups(others, Softmax(1, categories=K))`, the others and what is named labels.

    ValueError for any other layer.
    """
    parts = list(rbm.visible.layers()) if isinstance(rbm.visible, Groups) else []
    if len(parts) == 2 and isinstance(parts[1], Softmax) and parts[1].groups == 1:
        return parts[0], parts[1]
    raise ValueError(f"expected a visible layer Groups(others, Softmax(1, categories=...)), the labels last, found {rbm.visible}")


def machine_of_labels(model: RBM | DBN) -> tuple[RBM, Unit]:
    """The RBM that the label units are part of, and the layer of the data. ValueError for models without labels."""
    if isinstance(model, RBM):
        return model, labelled(model)[0]
    if model.labels is None:
        raise no_labels()
    return model.top, model.visible


def no_labels() -> ValueError:
    """The refusal of nets that were told of no labels."""
    return ValueError(
        "this net has no label units: learn it with hm.greedy(..., labels=, classes=), or make it with hm.DBN(rbms, labels=True), the top "
        "RBM's visible layer being Groups(units, Softmax(1, categories=K)), the labels last"
    )


def check_labels(labels: Any, cases: int, classes: int) -> Tensor:
    """Labels as a tensor, (cases,) int64. ValueError unless they are that many integers from 0 to `classes` - 1."""
    found = torch.as_tensor(labels)
    if found.shape != (cases,) or found.is_floating_point() or found.dtype == torch.bool:
        raise ValueError(f"expected {cases} integer labels, one a case, found shape {tuple(found.shape)} of {found.dtype}")
    if cases and (int(found.min()) < 0 or int(found.max()) >= classes):
        raise ValueError(f"expected labels from 0 to {classes - 1}, found values from {int(found.min())} to {int(found.max())}")
    return found.long()


def with_labels(x: Tensor, labels: Tensor, classes: int) -> Tensor:
    """States of the others, (cases, size), beside one-hot labels, (cases,) integers: (cases, size + classes)."""
    one_hot = torch.zeros(len(x), classes, dtype=x.dtype, device=x.device)
    return torch.cat([x, one_hot.scatter_(1, labels.to(x.device).long()[:, None], 1.0)], dim=1)


def label_rows(rbm: RBM) -> Tensor:
    """What each label alone adds to the hidden layer's input: (K, *hidden.statistic_shape)."""
    return rbm.coupling.bilinear(_statistics_of_labels(rbm))


def _statistics_of_labels(rbm: RBM) -> Tensor:
    """The visible statistic of each label and of nothing else: (K, *visible.statistic_shape)."""
    others, labels = labelled(rbm)
    eye = torch.eye(labels.categories, dtype=labels.bias.dtype, device=labels.bias.device)
    return torch.cat([eye.new_zeros(len(eye), *others.statistic_shape), eye], dim=1)


def without_labels(rbm: RBM, x: Tensor) -> Tensor:
    """Visible states in which no label is on: (*leading, *visible.shape)."""
    return torch.cat([x, x.new_zeros(*x.shape[:-1], labelled(rbm)[1].categories)], dim=-1)


def label_free_energy(rbm: RBM, x: Tensor, given: Given | None = None) -> Tensor:
    """F(x, y = k) of every label k, in nats: (cases, K), exact for any units.

    `rbm`: its visible layer is `Groups(others, Softmax(1, categories=K))`, the last part of which this call names labels; `x`: states of
    the others, (cases, size). The hidden layer's input from x is computed once, and each label adds a row of its own. p(y = k | x) is
    softmax(-F); log Σ_k exp(-F) is -F(x), the labels summed out (Hinton, Osindero & Teh 2006, section 6). Of binary hidden units F is
    -b_k - Σ_j softplus(c_j + (W'x)_j + U_kj) and the energy of x. A context's part in it counts where it is given.
    ValueError for machines without labels.
    """
    _, labels = labelled(rbm)
    visible, coupling = rbm.visible, rbm.coupling
    v = without_labels(rbm, x)
    given = visible.given_by(v, given)
    s_x, s_labels = visible.statistic(v, given), _statistics_of_labels(rbm)
    input, rows = coupling.to_hidden(s_x, given), coupling.bilinear(s_labels)
    alone = visible.energy(v, given) - coupling.visible_alone(s_x, given)
    of_labels = -labels.bias[:, None] - coupling.visible_alone(s_labels[:, None], given)
    # A label at a time: ten times the inputs of ten thousand cases would not fit a cache, nor many memories.
    return torch.stack([alone + own - rbm.hidden.log_partition(input + row) for own, row in zip(of_labels, rows, strict=True)], dim=-1)


@torch.no_grad()
def label_log_probability(
    model: RBM | DBN, v: Tensor, *, generator: torch.Generator | None = None, passes: int = 1, given: Given | None = None
) -> Tensor:
    """log p(y = k | v) of every label k, in nats: (cases, K).

    `v`: data, (cases, *shape), as `hm.fit` takes them; of an RBM the visible units without the labels. Exact for an RBM. Of a deep belief
    net it is softmax(-F) of the top RBM after an up-pass: by default of means, Hinton's protocol and that of his figures. With a
    `generator` it is the logarithm of the mean probability over `passes` stochastic up-passes, log E_Q[p(y | x_L)]. With means the free
    energy is taken between the states of binary units, which is no probability of the model but classifies as well as about twenty
    stochastic passes do (Hinton, Osindero & Teh 2006, section 6.1). ValueError for models without labels, and for data that the
    units cannot take.
    """
    if passes < 1 or (passes > 1 and generator is None):
        raise ValueError(f"a stochastic up-pass takes a generator, and there is one pass or more: found {passes=} and {generator=}")
    rbm, bottom = machine_of_labels(model)
    like, found = rbm.visible.zero_input(), []
    bottom.check(v)
    for start in range(0, len(v), BLOCK):
        x = bottom.from_data(v[start : start + BLOCK], like)
        side = None if given is None else given.map(lambda field, start=start: field[start : start + BLOCK])  # type: ignore[misc]
        each = [_log_probability(model, rbm, x, generator, side) for _ in range(passes)]
        found.append(each[0] if passes == 1 else torch.stack(each).logsumexp(0) - torch.tensor(float(passes)).log().item())
    return torch.cat(found)


def _log_probability(model: RBM | DBN, rbm: RBM, x: Tensor, generator: torch.Generator | None, given: Given | None) -> Tensor:
    """After one up-pass: (cases, K)."""
    if not isinstance(model, RBM):
        x = model.up(x, generator=generator, given=given)
        given = model.machine_given(given)
    return torch.log_softmax(-label_free_energy(rbm, x, given), dim=-1)
