"""A run that is killed, or stopped by Ctrl-C, and resumed ends as the run that was left alone."""

import dataclasses
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

from harmonium import cli
from harmonium.files import read_tensors
from harmonium.learning.loop import trainer
from harmonium.recipes.digits import recipe
from tests.forked import CONTEXT

WORDS = ("--threads", "1", "--layers.units", "30", "20", "--layers.epochs", "4", "--tuning.epochs", "5")
WORDS += ("--labelled.epochs", "4", "--labelled.up-down-epochs", "5")


def work(*words: str) -> None:
    """The command line, with checkpoints at nearly every step, and a short judgement: most deaths are to come while it learns."""
    trainer.CHECKPOINT_SECONDS = 0.005
    judge, chains = recipe.bottom_likelihood, recipe.on_demand
    recipe.bottom_likelihood = lambda *given, **settings: judge(*given, **{**settings, "betas": 20, "sweeps": 5})
    recipe.on_demand = lambda options, *rest: chains(dataclasses.replace(options, smoke=True), *rest)
    sys.argv = ["harmonium", *words]
    cli.main()


def live(folder: Path, *words: str, epochs: int | None = None, seconds: float = 0.0) -> int | None:
    """Runs the command in a process of its own, killing it so many seconds after so many more epochs; gives its exit code."""
    before, process = recorded(folder), CONTEXT.Process(target=work, args=words)
    process.start()
    while epochs is not None and process.is_alive() and recorded(folder) < before + epochs:
        time.sleep(0.005)
    process.join(None if epochs is None else seconds)
    process.kill()
    process.join()
    return process.exitcode


def recorded(folder: Path) -> int:
    """Epochs that a run has written the figures of."""
    path = folder / "metrics.jsonl"
    return len(path.read_bytes().splitlines()) if path.exists() else 0


def learnt(folder: Path) -> dict[str, torch.Tensor]:
    """Every model tensor of every phase."""
    found = {}
    for path in sorted((folder / "checkpoints").glob("*.safetensors")):
        found |= {f"{path.stem}/{name}": t for name, t in read_tensors(path)[0].items() if name.startswith("model.")}
    return found


def test_kill_9_then_resume_gives_the_same_bits(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert live(whole, "run", "digits", *WORDS, "--out", str(whole)) == 0
    moments, deaths = random.Random(1), 0
    for _ in range(6):
        command = ("resume", str(broken)) if (broken / "config.json").exists() else ("run", "digits", *WORDS, "--out", str(broken))
        deaths += live(broken, *command, epochs=moments.randint(0, 3), seconds=moments.uniform(0, 0.2)) == -signal.SIGKILL
    assert deaths >= 2
    assert live(broken, "resume", str(broken)) == 0
    expected, found = learnt(whole), learnt(broken)
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        assert torch.equal(tensor, found[name]), name
    rows = [line.split('"step"')[0] for line in (whole / "metrics.jsonl").read_text().splitlines()]
    assert [line.split('"step"')[0] for line in (broken / "metrics.jsonl").read_text().splitlines()] == rows


def test_ctrl_c_ends_with_one_sentence_and_a_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "harmonium.cli", "run", "digits", "--threads", "1", "--out", str(folder)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (folder / "checkpoints" / "layer-1.safetensors").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said.splitlines()[-1] == f"Stopped; everything learnt so far is saved, and `harmonium resume {folder}` goes on with it."
    assert "Traceback" not in said
    assert read_tensors(folder / "checkpoints" / "layer-1.safetensors")[1]["step"] > 0
