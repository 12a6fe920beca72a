"""A run's report.html: what every recipe's has in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harmonium.report import Headline, Section, write_report
from harmonium.runs.folder import REPORT, Run


def write_run_report(
    run: Run, *, summary: str, sections: Sequence[Section], headline: Sequence[Headline] | None = None, title: str | None = None
) -> None:
    """Writes report.html into the folder of a run, finished or not.

    Parameters
    ----------
    run
        The folder of the run.
    summary
        What was learnt, without a full stop; that the run has not finished is added where it has not.
    sections
        Pictures, tables and what they show.
    headline
        By default every metric of a finished run.
    title
        By default the recipe's name and the seed.
    """
    results = run.results() if run.finished else None
    facts: dict[str, object] = {"seed": run.settings["seed"], "training": f"{run.training_seconds:.0f} s"}
    if results is not None:
        facts |= {name: results[name] for name in ("setting", "machine", "commit", "command")}
        headline = headlines(results) if headline is None else headline
    write_report(
        run.folder / REPORT,
        title=title or f"{run.recipe}, seed {run.settings['seed']}",
        summary=summary + ("." if results else "; the run has not finished."),
        headline=headline or (),
        sections=sections,
        facts=facts,
        settings=run.settings,
    )


def headlines(results: Mapping[str, Any]) -> list[Headline]:
    """The metrics as the top of a report."""
    return [
        Headline(name.replace("_", " "), found["published"], found["value"], found["unit"], results["paper"] if found["published"] else "")
        for name, found in results["metrics"].items()
    ]
