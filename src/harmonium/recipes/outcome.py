"""What a finished stack comes to: its errors, its likelihood, its report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

import harmonium.recipes.run as runs
from harmonium.data import Dataset
from harmonium.models import DBN
from harmonium.recipes.pictures import bottom_likelihood, sections
from harmonium.recipes.recipe import headlines
from harmonium.recipes.run import Run
from harmonium.recipes.stack import Split, error_percent
from harmonium.report import write_report

METRICS = {"backpropagation": "error_percent", "backpropagation with dropout": "dropout_error_percent"}


def judge(cases: Split, dbn: DBN, nets: Mapping[str, nn.Sequential]) -> tuple[list[tuple[str, float, str]], str]:
    """The errors of the nets and the likelihood of the bottom RBM, each (metric, value, unit), and a sentence on the latter."""
    estimate, nats, trust = bottom_likelihood(dbn.rbms[0], cases.test_images)
    found = [
        (f"{cases.name}_{METRICS[phase]}", error_percent(net, cases.test_images, cases.test_labels), "%") for phase, net in nets.items()
    ]
    found.append((f"bottom_rbm_{cases.name}_nats_fixed_stochastic", nats, "nats"))
    return found, (
        f"The bottom RBM alone has log Z = {estimate.log_z:.2f} ± {estimate.standard_error:.2f} nats by annealed importance sampling "
        f"({trust}). It learns from grey levels as probabilities; its likelihood is that of pixels drawn once from them."
    )


def report(run: Run, data: Dataset, cases: Split, dbn: DBN, nets: Mapping[str, nn.Sequential], results: Mapping[str, Any] | None) -> None:
    """Draws report.html, `dbn` being the stack to generate from; without results, that of a run that has not finished."""
    stack = "-".join(str(rbm.hidden.shape[0]) for rbm in dbn.rbms)
    summary = f"A deep belief net of {stack} hidden units, learnt from {len(cases.images):,} unlabelled images one layer at a time"
    facts: dict[str, object] = {"seed": run.settings["seed"], "training": f"{run.training_seconds:.0f} s"}
    if results is None:
        summary += "; the run has not finished."
    else:
        summary += ", then fine-tuned by backpropagation on their labels."
        facts |= {name: results[name] for name in ("setting", "machine", "commit", "command")}
    write_report(
        run.folder / runs.REPORT,
        title=f"{run.recipe}, seed {run.settings['seed']}",
        summary=summary,
        headline=headlines(results) if results else (),
        sections=sections(run, data, cases, dbn, nets, results["likelihood"] if results else ""),
        facts=facts,
        settings=run.settings,
    )
