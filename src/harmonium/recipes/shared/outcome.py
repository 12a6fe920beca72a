"""What a finished stack comes to: its errors, its likelihood, its report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

import harmonium.runs.folder as runs
from harmonium.data import Dataset, binarise
from harmonium.likelihood import Evaluation, evaluate
from harmonium.models import DBN, RBM
from harmonium.recipes.shared.stack import Split, error_percent
from harmonium.recipes.shared.stack_pictures import sections
from harmonium.report import write_report
from harmonium.runs.contract import headlines
from harmonium.runs.folder import Run
from harmonium.runs.likelihood_metrics import RAISE_CASES, Figure, log_z_figures, verdict

METRICS = {"backpropagation": "error_percent", "backpropagation with dropout": "dropout_error_percent"}


def judge(cases: Split, nets: Mapping[str, nn.Sequential], found: Evaluation) -> tuple[list[Figure], dict[str, tuple[str, str]], str]:
    """The errors of the nets and the likelihood of the bottom RBM as metrics, the latter's verdict, and what a report says of it."""
    figures = [
        (f"{cases.name}_{METRICS[phase]}", error_percent(net, cases.test_images, cases.test_labels), "%") for phase, net in nets.items()
    ]
    nats = f"bottom_rbm_{cases.name}_nats_fixed_stochastic"
    figures += [(nats, found.cautious.nats, "nats"), *log_z_figures(found, "bottom_rbm_")]
    return (
        figures,
        {nats: verdict(found)},
        f"The bottom RBM alone gives the {cases.name} images {found.cautious.nats:.2f} nats each, by {found.cautious.name}, the lowest of "
        f"its estimates. {found.trust} It learns from grey levels as probabilities; its likelihood is that of pixels drawn once from them.",
    )


def bottom_likelihood(cases: Split, rbm: RBM, *, betas: int, chains: int, sweeps: int) -> Evaluation:
    """How probable the bottom RBM makes pixels drawn once from the judged images' grey levels, held against training images drawn alike."""
    test = binarise(cases.test_images, "fixed", seed=30)
    training = binarise(cases.images[: len(test)], "fixed", seed=31)
    return evaluate(rbm, test, training=training, chains=chains, betas=betas, sweeps=sweeps, raise_cases=RAISE_CASES, seed=0, progress=True)


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
