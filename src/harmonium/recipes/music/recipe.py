"""Polyphonic music: an RBM whose biases a recurrent net makes, beside models that know less of the past or of chords.

Paper: Boulanger-Lewandowski, Bengio & Vincent, *Modeling temporal dependencies in high-dimensional sequences*, ICML 2012: on four
collections of piano rolls an RNN-RBM has more nats a frame than an RBM of single frames and than independent notes. Its figures are not
quoted: its machines have other sizes, and its log Z is an estimate. Here the conditional machines have so few hidden units that log Z of
every frame is exact. Ours, times and machine: results/music.json; what was tried:
docs/recipes/music.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from harmonium.data import midi, music
from harmonium.files import read_tensors, write_tensors
from harmonium.models.saving import restore
from harmonium.recipes.music.models_of_frames import MODELS, Parts, Sizes, judge, judged_path, recurrent
from harmonium.recipes.music.pictures import mean_and_error, sections
from harmonium.recipes.music.pieces import COLLECTIONS, from_array, from_midi, hears, made_up, some_of
from harmonium.recipes.music.stepwise_nats import MOST
from harmonium.runs.contract import Metric, Recipe
from harmonium.runs.folder import Run
from harmonium.runs.report_page import write_run_report
from harmonium.seeds import derive

OWN = "own_pieces"
BEGINNING, GENERATED, SWEEPS = 16, 64, 50  # frames of a piece, frames that go on with it, and Gibbs sweeps of each


@dataclasses.dataclass(frozen=True)
class Music(Recipe):
    """Piano rolls of four collections by an RNN-RBM, a conditional RBM, an RBM, logistic autoregression and independent notes."""

    data_dir: Path | None = None
    """Where the folder polyphonic-music is, if not in $HARMONIUM_DATA or the cache."""
    midi: Path | None = None
    """A folder of one's own MIDI files, in place of the collections."""
    rolls: Path | None = None
    """An .npy file of one's own frames, (time, 88) of zeros and ones, in place of the collections."""
    quick: bool = False
    """Fewer frames, updates and hidden units."""
    learnt: int = 60_000
    """Frames to learn from, of each collection; whole pieces, drawn."""
    held: int = 10_000
    """Frames to choose by."""
    judged: int = 10_000
    """Frames to be judged on, drawn from all test pieces, each with its whole past."""
    sizes: Sizes = Sizes()

    name: ClassVar[str] = "music"
    choices: ClassVar[tuple[str, ...]] = ("quick",)
    paper: ClassVar[str] = "Boulanger-Lewandowski, Bengio & Vincent 2012"
    published: ClassVar[dict[str, str]] = {}
    headline_metrics: ClassVar[tuple[str, ...]] = tuple(
        f"test_nats_{where.lower()}_{model}" for where in COLLECTIONS for model in ("rnn_rbm", "rbm")
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.midi is not None and self.rolls is not None:
            raise ValueError("--midi and --rolls are two ways to give one's own music: give one of them")
        if not 1 <= self.sizes.hidden <= MOST or min(self.learnt, self.held, self.judged, self.sizes.recurrent) < 1:
            raise ValueError(
                f"the conditional machines have 1 to {MOST} hidden units, because log Z of each frame sums over their states, and there is "
                f"a frame of each kind and a recurrent unit at least, found {self}"
            )

    @property
    def setting(self) -> str:
        """What the records call these options."""
        return "smoke" if self.smoke else "quick" if self.quick else "full"

    def plan(self) -> Music:
        """What the options come to."""
        if self.smoke:
            tiny = Sizes(5, 4, 6, (1, 2), (1e-3,), 10, 10, 10, cd_steps=1, chunk=8, betas=10, sweeps=5, chains=10)
            return dataclasses.replace(self, learnt=200, held=40, judged=60, sizes=tiny)
        if self.quick:
            updates = {"rbm_updates": 2000, "crbm_updates": 2500, "updates": 1200}
            sizes = dataclasses.replace(self.sizes, hidden=10, pasts=(1, 4), penalties=(3e-4, 1e-3), betas=250, sweeps=100, **updates)
            return dataclasses.replace(self, learnt=15_000, held=3000, judged=2000, sizes=sizes)
        return self

    def pieces(self) -> dict[str, music.Music]:
        """Each collection, or one's own; in a smoke run made-up pieces."""
        if self.midi is not None:
            return {OWN: from_midi(self.midi)}
        if self.rolls is not None:
            return {OWN: from_array(self.rolls)}
        if self.smoke:
            return {where: made_up(number) for number, where in enumerate(COLLECTIONS)}
        return {where: music.load(where, self.data_dir) for where in COLLECTIONS}

    def parts(self, pieces: music.Music, seed: int) -> Parts:
        """What is learnt from, chosen by and judged on."""
        plan = self.plan()
        learnt, held = some_of(pieces.train, plan.learnt, derive(seed, 0)), some_of(pieces.validation, plan.held, derive(seed, 1))
        frames = sum(map(len, pieces.test))
        judged = torch.randperm(frames, generator=torch.Generator().manual_seed(derive(seed, 2)))[: plan.judged].sort().values
        return Parts(learnt, held, pieces.test, judged)

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: for each collection all models, learnt and judged on the same frames, and a sample to listen to."""
        torch.set_num_threads(self.threads)
        plan = self.plan()
        rows: list[Metric] = []
        verdicts: dict[str, tuple[str, str]] = {}
        for number, (where, pieces) in enumerate(self.pieces().items()):
            seed = derive(self.seed, number)
            parts = self.parts(pieces, derive(seed, 0))
            found = judge(run, where, parts, plan.sizes, derive(seed, 1))
            rows += metrics(where, {model: nats for model, (nats, _) in found.items()})
            verdicts |= {f"test_nats_{where.lower()}_{model}": verdict for model, (_, verdict) in found.items()}
            listen(run, where, parts, plan.sizes, derive(seed, 2))
        results = self.results(run, self.setting, rows, verdicts)
        self.report(run)
        return results

    def report(self, run: Run) -> None:
        places = [OWN] if self.midi is not None or self.rolls is not None else COLLECTIONS
        done = [where for where in places if sample_path(run, where).exists()]
        found = {where: {model: read_tensors(judged_path(run, where, model))[0]["nats"] for model in MODELS} for where in done}
        samples = {where: (read_tensors(sample_path(run, where))[0]["piece"], BEGINNING) for where in done}
        files = ", ".join(f"{where}.mid" for where in done)
        heard = f"To listen to: {files}, beside this page." if hears() else "pip install 'harmonium[music]' to have them as MIDI files."
        write_run_report(
            run,
            summary="Frames of polyphonic music given the frames before them, by five models. The conditional machines' log Z is "
            "exact for every frame; that of the RBM is an estimate, of which the lowest likelihood counts",
            sections=sections(found, samples, heard) if done else [],
        )


def metrics(where: str, found: Mapping[str, Tensor]) -> list[Metric]:
    """The mean nats of each model, and what the RNN-RBM has more, frame by frame."""
    rows: list[Metric] = []
    for model, nats in found.items():
        mean, error = mean_and_error(nats)
        rows += [(f"test_nats_{where.lower()}_{model}", mean, "nats"), (f"test_nats_{where.lower()}_{model}_standard_error", error, "nats")]
        if model != MODELS[-1]:
            more, of_more = mean_and_error(found[MODELS[-1]] - nats)
            rows += [(f"rnn_rbm_less_{model}_{where.lower()}", more, "nats")]
            rows += [(f"rnn_rbm_less_{model}_{where.lower()}_standard_error", of_more, "nats")]
    return rows


def sample_path(run: Run, where: str) -> Path:
    """Where a sample is kept."""
    return run.checkpoint(f"{where} sample")


def listen(run: Run, where: str, parts: Parts, sizes: Sizes, seed: int) -> None:
    """Go on with a test piece, and write what comes as a MIDI file where mido is there."""
    path = sample_path(run, where)
    if not path.exists():
        net = recurrent(parts, sizes, 0)
        restore(net, read_tensors(run.checkpoint(f"{where} RNN-RBM"))[0], "model.")
        beginning = next((piece for piece in parts.test if len(piece) >= BEGINNING), parts.test[0])[:BEGINNING].float()
        generator = torch.Generator().manual_seed(seed)
        generated = net.continued(beginning, GENERATED, sweeps=SWEEPS, generator=generator)
        write_tensors(path, {"piece": torch.cat([beginning, generated]).bool()}, {})
    if hears():
        midi.write(run.folder / f"{where}.mid", read_tensors(path)[0]["piece"])
