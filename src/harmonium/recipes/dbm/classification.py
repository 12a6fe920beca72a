"""The discriminative net of Salakhutdinov & Hinton (2009): a deep Boltzmann machine's layers, fine-tuned by backpropagation.

Its inputs are the grey levels and, beside them, the means q(h2 | v) that mean field settles at. They are computed once.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from harmonium.data import mnist
from harmonium.models import DBM
from harmonium.nets import dbm_inputs
from harmonium.recipes.shared.labelled_split import Split, split
from harmonium.recipes.shared.stack import Tuning, error_percent, tune
from harmonium.runs.contract import Metric
from harmonium.runs.folder import Run
from harmonium.units import Bernoulli

METRICS = {"fine-tuning": "error_percent", "fine-tuning with dropout": "dropout_error_percent"}  # by phase, without the split


def errors(
    run: Run, dbm: DBM, tunings: Mapping[str, Tuning], *, data_dir: Path | None, held_out: int, smoke: bool, seed: int
) -> list[Metric]:
    """The share of the judged images that each net gets wrong, by the name of its metric.

    Parameters
    ----------
    run
        The folder of the run.
    dbm
        The machine.
    tunings
        How each net is fine-tuned, by the phases of `METRICS`.
    data_dir, held_out, smoke
        The images and labels.
    seed
        The seed of the new weights and of the order of the cases.
    """
    data = mnist.load(data_dir)
    machine = of_grey_levels(dbm)
    cases = split(data, held_out, smoke=smoke).to(machine.visible.zero_input().device)
    seen = Split(dbm_inputs(machine, cases.images), cases.labels, dbm_inputs(machine, cases.test_images), cases.test_labels, cases.name)
    nets = {phase: tune(run, phase, machine, seen, data.classes, tuning, seed) for phase, tuning in tunings.items()}
    return [(f"{cases.name}_{METRICS[phase]}", error_percent(net, seen.test_images, seen.test_labels), "%") for phase, net in nets.items()]


@torch.no_grad()
def of_grey_levels(dbm: DBM) -> DBM:
    """The same machine with grey levels as probabilities of its visible units. All other layers and the couplings are shared."""
    visible = Bernoulli(dbm.visible.shape, values="probabilities").to(dbm.visible.zero_input())
    visible.load_state_dict(dbm.visible.state_dict())
    return DBM([visible, *list(dbm.layers)[1:]], list(dbm.couplings))
