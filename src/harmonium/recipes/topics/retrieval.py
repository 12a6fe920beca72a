"""Documents that are found by the cosine of their codes: which share of those found first is of the query's own group."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

RECALLS = (0.002, 0.004, 0.016, 0.064, 0.256, 1.0)
BLOCK = 200  # queries at a time


def precision(known: Tensor, known_groups: Tensor, queries: Tensor, query_groups: Tensor) -> Tensor:
    """The precision at each of `RECALLS`, the mean over the queries: (recalls,).

    Parameters
    ----------
    known, queries
        Codes, (documents, size) each. Each query is compared with all known documents.
    known_groups, query_groups
        (documents,) int64: a document is relevant if it is of the query's group.

    Notes
    -----
    A recall of r is reached with the first ⌈r R⌉ of the R relevant documents. The precision there is their share of the documents that
    are as alike as the last of them or more.
    """
    towards, total = normalize(known.float(), dim=1), torch.zeros(len(RECALLS), dtype=torch.float64)
    counted = 0
    for part, groups in zip(torch.split(normalize(queries.float(), dim=1), BLOCK), torch.split(query_groups, BLOCK), strict=True):
        order = (part @ towards.T).argsort(dim=1, descending=True, stable=True)
        relevant = known_groups[order] == groups[:, None]
        hits = relevant.cumsum(1)
        there = hits[:, -1] > 0  # others have nothing to be found
        wanted = (torch.tensor(RECALLS) * hits[there, -1:]).ceil().clamp_min(1).long()
        place = torch.searchsorted(hits[there], wanted)
        total += (wanted / (place + 1)).double().sum(0)
        counted += int(there.sum())
    return total / max(counted, 1)
