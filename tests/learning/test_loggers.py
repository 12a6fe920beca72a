"""Metrics for other programs: what their files hold is the history, resumed or not."""

import csv
import importlib.util
import sys
import types
from typing import ClassVar

import pandas as pd
import pytest
import torch

import harmonium as hm

ROWS = torch.eye(6).repeat(10, 1)


def learn(epochs, **settings):
    return hm.fit(hm.RBM(6, 4), ROWS, epochs=epochs, batch_size=20, progress=False, **settings)


def same(path, history):
    """To the last bit."""
    with path.open(newline="") as file:
        found = [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
    assert found == history


def test_a_csv_file_is_the_history(tmp_path):
    state = learn(4, callbacks=hm.CSVLogger(tmp_path / "in" / "log.csv"), validation=ROWS[:20])
    same(tmp_path / "in" / "log.csv", state.history)
    assert (tmp_path / "in" / "log.csv").read_text().startswith("epoch,step,")
    assert "\n1,3," in (tmp_path / "in" / "log.csv").read_text()


def test_resumed_training_goes_on_in_the_same_file(tmp_path):
    path, checkpoint = tmp_path / "log.csv", tmp_path / "state.safetensors"
    learn(2, callbacks=hm.CSVLogger(path), checkpoint=checkpoint)
    early = checkpoint.read_bytes()
    learn(4, callbacks=hm.CSVLogger(path), checkpoint=checkpoint)
    checkpoint.write_bytes(early)  # as if the process had died before the last checkpoints
    state = learn(5, callbacks=hm.CSVLogger(path), checkpoint=checkpoint)
    assert [row["epoch"] for row in state.history] == [1, 2, 3, 4, 5]
    same(path, state.history)
    learn(5, callbacks=hm.CSVLogger(tmp_path / "again.csv"), checkpoint=checkpoint)  # nothing left to do
    same(tmp_path / "again.csv", state.history)


def test_a_state_that_continues_is_one_training_and_layers_are_several(tmp_path):
    logger = hm.CSVLogger(tmp_path / "log.csv")
    state = learn(2, callbacks=[logger])
    state = hm.fit(state.model, ROWS, epochs=3, batch_size=20, state=state, callbacks=logger, progress=False)
    same(tmp_path / "log.csv", state.history)
    hm.greedy(
        ROWS, [hm.Bernoulli(6), hm.Bernoulli(5), hm.Bernoulli(4)], epochs=2, callbacks=hm.CSVLogger(tmp_path / "stack.csv"), progress=False
    )
    found = pd.read_csv(tmp_path / "stack.csv")
    assert found[["training", "epoch"]].to_numpy().tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]


def test_a_training_after_one_without_an_epoch_is_another(tmp_path):
    """Both histories are empty when they begin."""

    class Interrupt(hm.Callback):
        def on_step(self, state):
            raise KeyboardInterrupt

    logger = hm.CSVLogger(tmp_path / "log.csv")
    with pytest.raises(KeyboardInterrupt):
        learn(2, callbacks=[logger, Interrupt()])
    state = learn(2, callbacks=logger)
    same(tmp_path / "log.csv", [{"training": 2.0, **row} for row in state.history])


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ValueError, match="is a folder"):
        hm.CSVLogger(tmp_path)


class Recorder:
    """Stands for TensorBoard's writer, with its arguments."""

    made: ClassVar[list] = []

    def __init__(self, log_dir, purge_step=None):
        self.folder, self.purge_step, self.points, self.open = log_dir, purge_step, [], True
        Recorder.made.append(self)

    def add_scalar(self, tag, scalar_value, global_step):
        assert self.open
        self.points.append((tag, scalar_value, global_step))

    def flush(self):
        pass

    def close(self):
        self.open = False


def test_tensorboard_gets_each_metric_by_the_update(tmp_path, monkeypatch):
    Recorder.made = []
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=Recorder))
    logger = hm.TensorBoardLogger(tmp_path)
    state = learn(2, callbacks=logger)
    state = hm.fit(state.model, ROWS, epochs=3, batch_size=20, state=state, callbacks=logger, progress=False)
    first, second = Recorder.made
    assert (first.folder, first.purge_step, second.folder, second.purge_step) == (str(tmp_path), 1, str(tmp_path), 7)
    assert not first.open
    assert not second.open
    errors = [(row["reconstruction_error"], int(row["step"])) for row in state.history]
    points = [*first.points, *second.points]
    assert [(value, step) for tag, value, step in points if tag == "reconstruction_error"] == errors
    assert {tag for tag, *_ in points} >= {"seconds", "learning_rate/group_0"}
    learn(1, callbacks=logger)
    assert Recorder.made[2].folder == str(tmp_path / "training-2")


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is not None, reason="TensorBoard is installed")
def test_without_tensorboard_one_sentence_says_what_to_install():
    with pytest.raises(ImportError, match=r"^hm.TensorBoardLogger needs TensorBoard: pip install 'harmonium\[tensorboard\]'$"):
        hm.TensorBoardLogger("logs")


def test_one_callback_needs_no_list(capsys):
    state = learn(2, callbacks=print)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[1] == repr(state)
    assert lines[0].startswith("TrainingState(RBM, epoch 1, update 3: error ")

    class Stop(hm.Callback):
        def on_epoch(self, state):
            state.stopped = True

    assert learn(5, callbacks=Stop()).epoch == 1
    many = hm.Replicas([hm.RBM(6, 4, seed=seed) for seed in range(2)])
    assert hm.fit(many, ROWS, epochs=3, callbacks=Stop(), progress=False).epoch == 1
    net = torch.nn.Sequential(torch.nn.Linear(6, 6))
    assert hm.fine_tune(net, ROWS, ROWS.argmax(1), epochs=3, callbacks=Stop(), progress=False).epoch == 1
    for wrong in (None, "print", 3):
        with pytest.raises(TypeError, match="callbacks= is a list"):
            learn(1, callbacks=wrong)
