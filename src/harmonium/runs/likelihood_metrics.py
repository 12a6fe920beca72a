"""A likelihood as it is recorded: the lowest of the estimates, with its verdict and every estimate beside it."""

from __future__ import annotations

from harmonium.likelihood import Evaluation
from harmonium.runs.contract import Metric

RAISE_CASES = 100  # of the judged cases, that RAISE begins at


def verdict(found: Evaluation) -> tuple[str, str]:
    """How far to trust it, in a word and in a sentence."""
    return found.verdict, found.trust


def log_z_metrics(found: Evaluation, prefix: str = "") -> list[Metric]:
    """log Z by every estimate, and what tells how far each can be trusted. `prefix`: of the metrics' names."""
    metrics = [(f"{prefix}log_z", found.log_z, "nats")]
    for name, way in (("of_a_quarter_of_the_betas", found.short), ("by_reverse_ais", found.reverse)):
        if way is not None:
            metrics.append((f"{prefix}log_z_{name}", way.log_z, "nats"))
            metrics.append((f"{prefix}effective_sample_size_{name}", way.ess, "chains"))
    if found.long is not None:
        metrics.append((f"{prefix}effective_sample_size", found.long.ess, "chains"))
    if found.raised is not None:
        metrics.append((f"{prefix}log_z_by_raise", found.raised.log_z, "nats"))
        metrics.append((f"{prefix}log_z_by_raise_error", found.raised.standard_error, "nats"))
    if found.tempered is not None:
        metrics.append((f"{prefix}round_trips_of_tempered_chains", float(found.tempered.round_trips), "trips"))
    return metrics
