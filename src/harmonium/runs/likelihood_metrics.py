"""A likelihood as it is recorded: the lowest of the estimates, with its verdict and every estimate beside it."""

from __future__ import annotations

from harmonium.likelihood import Evaluation

RAISE_CASES = 100  # of the judged cases, that RAISE begins at
Figure = tuple[str, float, str]


def verdict(found: Evaluation) -> tuple[str, str]:
    """How far to trust it, in a word and in a sentence."""
    return found.verdict, found.trust


def log_z_figures(found: Evaluation, of: str = "") -> list[Figure]:
    """log Z by every estimate, and what tells how far each can be trusted, as metrics; `of`: a prefix of their names."""
    figures = [(f"{of}log_z", found.log_z, "nats")]
    for name, way in (("of_a_quarter_of_the_betas", found.short), ("by_reverse_ais", found.reverse)):
        if way is not None:
            figures.append((f"{of}log_z_{name}", way.log_z, "nats"))
            figures.append((f"{of}effective_sample_size_{name}", way.ess, "chains"))
    if found.long is not None:
        figures.append((f"{of}effective_sample_size", found.long.ess, "chains"))
    if found.raised is not None:
        figures.append((f"{of}log_z_by_raise", found.raised.log_z, "nats"))
        figures.append((f"{of}log_z_by_raise_error", found.raised.standard_error, "nats"))
    if found.tempered is not None:
        figures.append((f"{of}round_trips_of_tempered_chains", float(found.tempered.round_trips), "trips"))
    return figures
