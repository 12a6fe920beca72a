"""The models that training passes through: which are kept, the same whether training breaks off or not, and read back."""

import math
from functools import partial

import pytest
import torch

import harmonium as hm
from harmonium.files import read_tensors
from harmonium.learning.loop import trainer
from harmonium.sampling.trajectory import acceptance


def data():
    """Five units on and five off, or the other way round, with noise."""
    generator = torch.Generator().manual_seed(1)
    left = torch.rand(120, 1, generator=generator) < 0.5
    ink = torch.where(left, torch.arange(10) < 5, torch.arange(10) >= 5)
    return (ink ^ (torch.rand(120, 10, generator=generator) < 0.1)).float()


def learn(trajectory, epochs=4, *, model=None, negative=None, state=None, **settings):
    """Twelve steps an epoch."""
    rbm = state.model if state is not None else model or hm.RBM(hm.Bernoulli(10), hm.Bernoulli(6), seed=2)
    return hm.fit(
        rbm,
        data(),
        negative=negative or hm.PersistentCD(chains=40),
        epochs=epochs,
        batch_size=10,
        optimizer=partial(torch.optim.SGD, lr=0.5),
        seed=5,
        callbacks=[trajectory],
        state=state,
        progress=False,
        **settings,
    )


def same(models, others):
    assert len(models) == len(others)
    for one, other in zip(models, others, strict=True):
        assert one.state_dict().keys() == other.state_dict().keys()
        assert all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


def contents(folder):
    """Of each file its name, tensors and header."""
    found = {path.name: read_tensors(path) for path in sorted(folder.iterdir())}
    return {name: ({key: value.tolist() for key, value in tensors.items()}, header) for name, (tensors, header) in found.items()}


class EveryStep(hm.Callback):
    """The parameters after each step, in plain."""

    def __init__(self):
        self.weights = {}

    def on_start(self, state, epochs, batches):
        self.weights[0] = [p.detach().clone() for p in state.model.parameters()]

    def on_step(self, state):
        self.weights[state.step] = [p.detach().clone() for p in state.model.parameters()]


@pytest.mark.parametrize("place", ["memory", "folder"])
def test_geometric_steps_from_before_the_first_to_the_last(place, tmp_path):
    trajectory, every = hm.Trajectory(tmp_path / "kept" if place == "folder" else None, ratio=1.5), EveryStep()
    rbm = hm.RBM(hm.Bernoulli(10), hm.Bernoulli(6), seed=2)
    hm.fit(rbm, data(), negative=hm.PersistentCD(40), epochs=4, batch_size=10, seed=5, callbacks=[trajectory, every], progress=False)
    assert trajectory.steps == [0, 1, 2, 3, 5, 8, 12, 18, 27, 41, 48]
    assert len(trajectory) == 11
    models = trajectory.models()
    for step, model in zip(trajectory.steps, models, strict=True):
        assert all(torch.equal(p, kept) for p, kept in zip(model.parameters(), every.weights[step], strict=True))
    assert models[0].visible.bias.std() > 0  # started at the data's base rates
    same(models[-1:], [rbm])
    models[-1].visible.bias.data.zero_()
    same(trajectory.models()[-1:], [rbm])  # what was given out is a copy
    if place == "folder":
        again = hm.Trajectory(tmp_path / "kept")
        assert again.steps == trajectory.steps
        same(again.models(), trajectory.models())


def test_training_is_not_changed_by_it():
    found = [learn(callback).model for callback in (hm.Callback(), hm.Trajectory(), hm.Trajectory(acceptance=0.6))]
    same(found[:1] * 2, found[1:])


@pytest.mark.parametrize("settings", [{"ratio": 1.3}, {"acceptance": 0.7}])
@pytest.mark.parametrize("place", ["memory", "folder"])
def test_more_epochs_with_a_state_keep_the_same_trajectory(settings, place, tmp_path):
    whole = hm.Trajectory(**settings)
    learn(whole, 6)
    parts = hm.Trajectory(tmp_path if place == "folder" else None, **settings)
    state = learn(parts, 3)
    assert parts.steps[-1] == 36
    learn(parts, 6, state=state)
    assert parts.steps == whole.steps
    assert len(whole) > 8
    assert 36 not in parts.steps
    same(parts.models(), whole.models())


class Break(hm.Callback):
    def __init__(self, step):
        self.step = step

    def on_step(self, state):
        if state.step == self.step:
            raise RuntimeError("broken off")


@pytest.mark.parametrize("settings", [{"ratio": 1.2}, {"acceptance": 0.7}])
@pytest.mark.parametrize("step", [5, 24, 31])
def test_a_run_that_broke_off_beyond_its_checkpoint(settings, step, tmp_path, monkeypatch):
    """The checkpoints are those of whole epochs, of twelve steps; what was kept after the last of them is dropped and kept again."""
    monkeypatch.setattr(trainer, "CHECKPOINT_SECONDS", math.inf)
    whole = hm.Trajectory(tmp_path / "whole", **settings)
    learn(whole, 4)
    broken = hm.Trajectory(tmp_path / "broken", **settings)
    with pytest.raises(RuntimeError, match="broken off"):
        hm.fit(
            hm.RBM(hm.Bernoulli(10), hm.Bernoulli(6), seed=2),
            data(),
            negative=hm.PersistentCD(chains=40),
            epochs=4,
            batch_size=10,
            optimizer=partial(torch.optim.SGD, lr=0.5),
            seed=5,
            callbacks=[broken, Break(step)],
            checkpoint=tmp_path / "state.safetensors",
            progress=False,
        )
    assert broken.steps[-1] == step  # beyond the checkpoint
    beyond = [path for path in (tmp_path / "broken").iterdir() if int(path.stem[:10]) > step // 12 * 12]
    for path in beyond:
        path.write_bytes((tmp_path / "broken" / f"{0:010}.safetensors").read_bytes())
    resumed = hm.Trajectory(tmp_path / "broken", **settings)
    assert resumed.steps == broken.steps
    learn(resumed, 4, checkpoint=tmp_path / "state.safetensors")
    assert resumed.steps == whole.steps
    assert contents(tmp_path / "broken") == contents(tmp_path / "whole")


def test_a_finished_run_gone_on_with_changes_nothing(tmp_path):
    first = hm.Trajectory(tmp_path / "kept")
    learn(first, 3, checkpoint=tmp_path / "state.safetensors")
    before = contents(tmp_path / "kept")
    learn(hm.Trajectory(tmp_path / "kept"), 3, checkpoint=tmp_path / "state.safetensors")
    assert contents(tmp_path / "kept") == before


@pytest.mark.parametrize("negative", [hm.PersistentCD(chains=200), hm.PersistentCD(chains=200, sampler=hm.Tempering(betas=3))])
def test_kept_where_the_acceptance_has_fallen(negative, tmp_path):
    """Of the models kept, by the chains kept with them: below the target, and above it one look before."""
    target, trajectory, every = 0.7, hm.Trajectory(tmp_path, acceptance=0.7), EveryStep()
    rbm = hm.RBM(hm.Bernoulli(10), hm.Bernoulli(6), seed=2)
    make = partial(torch.optim.SGD, lr=0.3)
    hm.fit(rbm, data(), negative=negative, epochs=8, batch_size=10, optimizer=make, seed=5, callbacks=[trajectory, every], progress=False)
    models = trajectory.models()
    chains = [read_tensors(path)[0]["chains"] for path in sorted(tmp_path.iterdir())]
    assert all(v.shape == (200, 10) for v in chains)
    rates = [acceptance(models[i], models[i + 1], chains[i], chains[i + 1].roll(1, 0)).mean().item() for i in range(len(models) - 1)]
    assert 3 < len(models) < 60
    assert max(rates[:-1]) < target  # that of the last one may be anything
    assert sum(rates[:-1]) / len(rates[:-1]) > target - 0.15


def test_a_folder_of_another_learning_is_refused(tmp_path):
    learn(hm.Trajectory(tmp_path))
    before = contents(tmp_path)
    for other in (
        {"model": hm.RBM(hm.Bernoulli(10), hm.Bernoulli(6), seed=3)},
        {"model": hm.RBM(hm.Bernoulli(10), hm.Bernoulli(7), seed=2)},
        {"negative": hm.PersistentCD(chains=41)},
    ):
        with pytest.raises(ValueError, match="models of another training"):
            learn(hm.Trajectory(tmp_path), **other)
    assert contents(tmp_path) == before
    learn(hm.Trajectory(tmp_path))  # the same learning, once more from the start
    assert contents(tmp_path) == before
    memory = hm.Trajectory()
    state = learn(memory)
    with pytest.raises(ValueError, match="this Trajectory holds the models of another training"):
        learn(memory, model=state.model)


def test_a_model_that_diverged_is_not_kept():
    trajectory, rbm = hm.Trajectory(), hm.RBM(hm.Bernoulli(10), hm.Bernoulli(6), seed=2)

    class Spoil(hm.Callback):
        def on_step(self, state):
            if state.step == 7:
                state.model.hidden.bias.data.fill_(float("nan"))

    with pytest.raises(FloatingPointError):
        hm.fit(rbm, data(), epochs=1, batch_size=10, callbacks=[trajectory, Spoil()], progress=False)
    assert all(torch.isfinite(p).all() for model in trajectory.models()[:7] for p in model.parameters())
    assert trajectory.steps[-1] <= 12


def test_refusals():
    with pytest.raises(ValueError, match="ratio above 1"):
        hm.Trajectory(ratio=1.0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        hm.Trajectory(acceptance=1.0)
    with pytest.raises(ValueError, match="persistent chains"):
        learn(hm.Trajectory(acceptance=0.3), negative=hm.ContrastiveDivergence())


def test_gone_on_with_by_acceptance_needs_the_chains(tmp_path):
    state = learn(hm.Trajectory(tmp_path, ratio=2.0), 2)
    with pytest.raises(ValueError, match="kept without their chains"):
        learn(hm.Trajectory(tmp_path, acceptance=0.5), 3, state=state)
