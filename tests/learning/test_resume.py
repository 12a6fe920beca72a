"""Training that is killed at any moment and gone on with ends in the same bits as training that is not."""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest import mock

import pytest
import torch

import harmonium as hm
from harmonium.files import read_tensors
from harmonium.learning.loop import trainer
from harmonium.learning.loop.state import TrainingState
from tests.forked import CONTEXT

EPOCHS = 8


def data() -> torch.Tensor:
    return (torch.rand(200, 12, generator=torch.Generator().manual_seed(1)) < 0.3).float()


@contextmanager
def often() -> Iterator[None]:
    """Checkpoints at nearly every step, in one thread; as before afterwards, for this may be the process of other tests too."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with mock.patch.object(trainer, "CHECKPOINT_SECONDS", 0.002):
        yield
    torch.set_num_threads(threads)


@often()
def learn(checkpoint: str | None, kill: str | None = None, at: int = 0, gradient: str = "plain") -> torch.nn.Module:
    """Persistent chains, momentum, a schedule, a sparsity target and the parameters' mean: all that a state must carry."""
    if kill is not None:
        real, calls = getattr(os, kill), 0

        def fatal(*arguments: object) -> object:
            nonlocal calls
            calls += 1
            if calls == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments)

        setattr(os, kill, fatal)
    state = hm.fit(
        hm.RBM(hm.Bernoulli(12), hm.Bernoulli(7), seed=2),
        data(),
        negative=hm.PersistentCD(chains=15, steps=2),
        epochs=EPOCHS,
        batch_size=9,
        optimizer=partial(torch.optim.SGD, lr=0.05, momentum=0.5),
        schedule=partial(hm.Schedule, lr=lambda epoch: 0.9**epoch, momentum=lambda epoch: 0.5 if epoch < 3 else 0.9),
        weight_cost=1e-3,
        sparsity=hm.Sparsity(target=0.1),
        gradient=gradient,  # type: ignore[arg-type]
        averaging=0.2,
        seed=5,
        checkpoint=checkpoint,
        progress=False,
    )
    return torch.nn.ModuleList([state.model, state.averaged()])


centred, enhanced = partial(learn, gradient="centred"), partial(learn, gradient="enhanced")


@often()
def tune(checkpoint: str | None) -> torch.nn.Module:
    """Dropout, a validation set and the best weights so far."""
    x, y = data(), (data()[:, 0] + 2 * data()[:, 1]).long()
    net = hm.nets.classifier(hm.DBN([hm.RBM(hm.Bernoulli(12), hm.Bernoulli(9), seed=3)]), 4, dropout=0.3, input_dropout=0.1)
    state = hm.fine_tune(
        net,
        x[:150],
        y[:150],
        validation=(x[150:], y[150:]),
        epochs=EPOCHS,
        head_epochs=2,
        batch_size=7,
        checkpoint=checkpoint,
        progress=False,
    )
    net.register_buffer("loss", torch.tensor(state.history[-1]["train_loss"]))  # of the last epoch, whose weights may not be the best
    return net


def killed_after(seconds: float, target: object, *arguments: object) -> bool:
    """Runs the target in a process of its own and kills it; says whether it was still at work."""
    process = CONTEXT.Process(target=target, args=arguments)
    process.start()
    process.join(seconds)
    running = process.is_alive()
    process.kill()
    process.join()
    return running


@pytest.mark.parametrize(("work", "moments"), [(learn, 14), (centred, 3), (enhanced, 3), (tune, 6)])
def test_killed_at_random_moments(work: object, moments: int, tmp_path: Path) -> None:
    """One after another, so that each life begins where the last was killed; short lives die inside writes."""
    expected = work(None).state_dict()  # type: ignore[operator]
    checkpoint = tmp_path / "state.safetensors"
    lives = random.Random(0)
    lengths = []
    for name in ("whole", "again"):  # the server of processes begins with the first of them, and either may be held up
        begun = time.monotonic()
        assert not killed_after(120, work, str(tmp_path / name))
        lengths.append(time.monotonic() - begun)
    whole = min(lengths)
    killed = 0
    for _ in range(moments):
        if killed_after(lives.uniform(0.3, 0.9) * whole / 3 + 0.05, work, str(checkpoint)):
            killed += 1
        elif killed < moments // 3:  # the machine has become faster: begin again, with shorter lives
            killed, whole = 0, whole / 2
            checkpoint.unlink(missing_ok=True)
    assert killed >= moments // 3, "the lives were too long to test anything"
    assert checkpoint.exists(), "the lives were too short to learn anything"
    found = work(str(checkpoint)).state_dict()  # type: ignore[operator]
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("at", [1, 2, 11])
def test_killed_inside_a_checkpoint_write(call: str, at: int, tmp_path: Path) -> None:
    """Before the bytes are safe on the disk, and before the new file takes the old one's name."""
    checkpoint = tmp_path / "state.safetensors"
    process = CONTEXT.Process(target=learn, args=(str(checkpoint), call, at))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert checkpoint.exists() == (at > 1)
    expected, found = learn(None).state_dict(), learn(str(checkpoint)).state_dict()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


class Interrupt(hm.Callback):
    """Presses Ctrl-C at a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, state: TrainingState) -> None:
        if state.step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


def test_interrupt_saves_the_step_in_hand(tmp_path: Path) -> None:
    settings = {"epochs": 3, "batch_size": 10, "seed": 4, "progress": False}
    one = hm.RBM(hm.Bernoulli(12), hm.Bernoulli(7))
    hm.fit(one, data(), **settings)
    other = hm.RBM(hm.Bernoulli(12), hm.Bernoulli(7))
    path = tmp_path / "state.safetensors"
    with pytest.raises(KeyboardInterrupt):
        hm.fit(other, data(), **settings, checkpoint=path, callbacks=[Interrupt(33)])
    assert read_tensors(path)[1]["step"] == 33
    again = hm.RBM(hm.Bernoulli(12), hm.Bernoulli(7))
    state = hm.fit(again, data(), **settings, checkpoint=path)
    assert (state.step, [row["epoch"] for row in state.history]) == (60, [1, 2, 3])
    for name, tensor in one.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name


def test_a_state_trains_on(tmp_path: Path) -> None:
    one, two = hm.RBM(hm.Bernoulli(12), hm.Bernoulli(7)), hm.RBM(hm.Bernoulli(12), hm.Bernoulli(7))
    own = {"negative": hm.PersistentCD(chains=20), "optimizer": partial(hm.MomentumSGD, lr=0.01, momentum=0.9)}
    hm.fit(one, data(), epochs=5, **own)
    state = hm.fit(two, data(), epochs=2, **own)
    hm.fit(two, data(), epochs=5, state=state, **own)
    for name, tensor in one.state_dict().items():
        assert torch.equal(two.state_dict()[name], tensor), name


def test_other_settings_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    hm.fit(hm.RBM(hm.Bernoulli(12), hm.Bernoulli(7)), data(), epochs=1, checkpoint=path)
    with pytest.raises(ValueError, match="batch_size=100, and this run has batch_size=50"):
        hm.fit(hm.RBM(hm.Bernoulli(12), hm.Bernoulli(7)), data(), epochs=1, batch_size=50, checkpoint=path)
    with pytest.raises(ValueError, match=r"expected model.visible.bias|expected model.coupling.weight|does not fit"):
        hm.fit(hm.RBM(hm.Bernoulli(12), hm.Bernoulli(8)), data(), epochs=1, checkpoint=path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ValueError, match="damaged"):
        hm.fit(hm.RBM(hm.Bernoulli(12), hm.Bernoulli(7)), data(), epochs=1, checkpoint=path)


def test_a_checkpoint_of_fixed_variances_is_refused_by_a_model_that_learns_them(tmp_path: Path) -> None:
    settings = {"epochs": 1, "checkpoint": tmp_path / "state", "optimizer": partial(torch.optim.SGD, lr=0.001), "progress": False}
    hm.fit(hm.RBM(hm.Gaussian(12, learn_variance=False), 7), data(), **settings)
    learnt = hm.RBM(hm.Gaussian(12), 7)
    with pytest.raises(ValueError, match=r"with 3 learnt parameters, and this one has 4: are variances fixed"):
        hm.fit(learnt, data(), **settings)
