"""A recipe of a user's own: nothing of the package is changed; it runs, resumes, is reported and recorded like the package's."""

import dataclasses
import re
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

import harmonium as hm
from harmonium.report import Section, filters
from harmonium.runs import Recipe, Run, from_settings, record, table
from harmonium.runs.options import check_recordable
from harmonium.runs.report_page import write_run_report


@dataclasses.dataclass(frozen=True)
class Bars(Recipe):
    """An RBM that learns which column of a 4x4 image is black."""

    hidden: int = 6
    """Hidden units."""
    epochs: int = 3

    name: ClassVar[str] = "bars"
    paper: ClassVar[str] = "mine"
    published: ClassVar[dict[str, str]] = {"nats": "about -1.4"}
    headline_metrics: ClassVar[tuple[str, ...]] = ("nats",)

    def images(self) -> torch.Tensor:
        return torch.eye(4).repeat(25, 1).repeat_interleave(4, 0).reshape(100, 16)

    def machine(self, run: Run) -> hm.RBM:
        rbm = hm.RBM(hm.Bernoulli(16), hm.Bernoulli(self.hidden), seed=self.seed)
        learning = {"callbacks": run.callbacks("learning"), "checkpoint": run.checkpoint("learning"), "progress": False}
        hm.fit(rbm, self.images(), epochs=self.epochs, seed=self.seed, **learning)
        return rbm

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: learn, judge, draw."""
        rbm = self.machine(run)
        nats = hm.likelihood.log_likelihood(rbm, self.images(), log_z=hm.likelihood.exact_log_z(rbm)).mean().item()
        results = self.results(run, "full", [("nats", nats, "nats")])
        self.report(run)
        return results

    def report(self, run: Run) -> None:
        weights = self.machine(run).coupling.weight.detach()
        write_run_report(run, summary="Bars", sections=[Section("Features", "", [(filters(weights, (4, 4)), "all units")])])


def test_it_runs_is_reported_and_recorded(tmp_path: Path) -> None:
    options = Bars(seed=2, threads=1, out=tmp_path / "run")
    run = Run.begin(options.name, options)
    results = options.run(run)
    assert {path.name for path in run.folder.iterdir()} == {"checkpoints", "config.json", "metrics.jsonl", "results.json", "report.html"}
    assert re.search("about -1.4", (run.folder / "report.html").read_text())
    check_recordable(options)
    record.append(results, tmp_path / "results")
    (row,) = table.rows({"bars": Bars}, tmp_path / "results")
    assert (row["recipe"], row["published"], row["ours"]) == ("bars", "about -1.4", f"{results['metrics']['nats']['value']:.2f}")
    assert record.merge(tmp_path / "results", {"bars": Bars}, tmp_path / "elsewhere") == 1
    with pytest.raises(ValueError, match="is no recipe"):
        record.merge(tmp_path / "results", {}, tmp_path / "nowhere")


def test_it_goes_on_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Bars(threads=1, out=tmp_path / "whole")
    expected = whole.run(Run.begin("bars", whole))["metrics"]
    broken, log = Bars(threads=1, out=tmp_path / "broken"), Run.callbacks

    class Stop(hm.Callback):
        def on_epoch(self, state: hm.TrainingState) -> None:
            if state.epoch == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr(Run, "callbacks", lambda self, phase: [*log(self, phase), Stop()])
    with pytest.raises(KeyboardInterrupt):
        broken.run(Run.begin("bars", broken))
    monkeypatch.setattr(Run, "callbacks", log)
    found = Run.open(tmp_path / "broken")
    assert not found.finished
    again = from_settings(Bars, found.settings)
    assert again == dataclasses.replace(broken, out=None)
    assert again.run(found)["metrics"] == expected
    assert [row["epoch"] for row in found.histories()["learning"]] == [1, 2, 3]


def test_it_has_no_model_to_evaluate_until_it_says_so(tmp_path: Path) -> None:
    options = Bars(out=tmp_path / "run")
    with pytest.raises(ValueError, match="no run of one model"):
        options.likelihood(Run.begin("bars", options), betas=1, chains=1, sweeps=1)
