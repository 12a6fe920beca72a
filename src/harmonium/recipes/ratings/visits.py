"""Areas of a site that users visited: an RBM and the areas' popularity name the one that is left out."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harmonium.data.ratings import Visits
from harmonium.files import read_tensors, write_tensors
from harmonium.learning import fit
from harmonium.models import RBM
from harmonium.runs.contract import Metric
from harmonium.runs.folder import Run
from harmonium.seeds import derive


@dataclasses.dataclass(frozen=True)
class OfVisits:
    """The machine of visits, and how it is judged."""

    hidden: int = 50
    """Hidden units."""
    updates: int = 3000
    """By CD-1, with the library's own rates."""
    named: int = 10
    """Areas that are named; it is a hit if the one left out is among them."""


def judge_visits(run: Run, visits: Visits, how: OfVisits, seed: int, device: str) -> list[Metric]:
    """Learns the training users' visits, and names areas to test users of whom a visit is left out. What the run has is not done again."""
    path = run.checkpoint("msweb judged")
    if not path.exists():
        rbm = RBM(visits.train.shape[1], how.hidden, seed=derive(seed, 0))
        callbacks: Any = run.callbacks("msweb")
        fit(
            rbm,
            visits.train,
            updates=how.updates,
            device=device,
            precision=run.precision,
            seed=derive(seed, 1),
            callbacks=callbacks,
            checkpoint=run.checkpoint("msweb"),
            progress=False,
        )
        rbm.to("cpu")
        seen, left_out = without_one(visits, derive(seed, 2))
        with torch.no_grad():
            scores = rbm.visible_input(rbm.hidden_mean(seen)) + rbm.visible.get_parameter("bias")
        popular = torch.from_numpy(np.asarray(visits.train.sum(axis=0))).float().expand_as(seen)
        found = {"rbm": hits(scores, seen, left_out, how.named), "popularity": hits(popular, seen, left_out, how.named)}
        write_tensors(path, {name: each.float() for name, each in found.items()}, {})
    rows = read_tensors(path)[0]
    found_metrics: list[Metric] = []
    for name, each in (*rows.items(), ("rbm_less_popularity", rows["rbm"] - rows["popularity"])):
        word = f"hit_percent_{name}_msweb"
        found_metrics += [
            (word, 100 * each.mean().item(), "%"),
            (f"{word}_standard_error", 100 * each.std().item() / math.sqrt(len(each)), "%"),
        ]
    return found_metrics


def without_one(visits: Visits, seed: int) -> tuple[Tensor, Tensor]:
    """Test users of two visits or more without one of them, drawn: (users, areas), and the areas left out, (users,)."""
    whole = torch.from_numpy(visits.test.toarray())
    several = whole[whole.sum(1) >= 2]
    left_out = torch.multinomial(several, 1, generator=torch.Generator().manual_seed(seed))
    return several.scatter(1, left_out, 0.0), left_out.squeeze(1)


def hits(scores: Tensor, seen: Tensor, left_out: Tensor, named: int) -> Tensor:
    """Whether the area left out is among those of the highest scores that the user is not known to have visited: (users,) bool."""
    best = scores.masked_fill(seen > 0, -math.inf).topk(named, dim=1).indices
    return (best == left_out[:, None]).any(1)
