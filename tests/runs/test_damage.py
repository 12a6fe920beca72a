"""Damaged checkpoints: the generation before is read, or one sentence said; never other numbers in silence."""

import json
import os
import random
import warnings
from functools import partial
from pathlib import Path

import pytest
import torch

import harmonium as hm
from harmonium.files import WITHOUT_CHECKSUM, previous, read_tensors
from harmonium.learning import TrainingState
from harmonium.runs.metrics_file import append_row, line, read_rows, rewrite_rows

SECTOR = 512


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Of a small machine after three epochs."""
    path = tmp_path / "state.safetensors"
    learn(path, epochs=3)
    return path


def learn(path: Path, epochs: int) -> TrainingState:
    rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), seed=0)
    sgd = partial(torch.optim.SGD, lr=0.1, momentum=0.5)
    chains = hm.PersistentCD(chains=5)
    data = torch.eye(6).repeat(3, 1)
    return hm.fit(rbm, data, negative=chains, optimizer=sgd, batch_size=4, epochs=epochs, checkpoint=path, seed=1, progress=False)


def damages(content: bytes) -> list[bytes]:
    """Every byte of the header and a thousand bits of the rest flipped, every sector zeroed, every end cut off."""
    begin, chance, found = 8 + int.from_bytes(content[:8], "little"), random.Random(0), []
    places = [(byte, chance.randrange(8)) for byte in range(begin)]
    places += [(chance.randrange(begin, len(content)), chance.randrange(8)) for _ in range(1000)]
    for byte, bit in places:
        found.append(content[:byte] + bytes([content[byte] ^ 1 << bit]) + content[byte + 1 :])
    for start in range(0, len(content), SECTOR):
        if any(content[start : start + SECTOR]):
            found.append(content[:start] + bytes(len(content[start : start + SECTOR])) + content[start + SECTOR :])
    return found + [content[:end] for end in range(len(content))]


def test_no_damage_is_read(checkpoint: Path, tmp_path: Path) -> None:
    content, path = checkpoint.read_bytes(), tmp_path / "damaged"
    for damaged in damages(content):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged"):
            read_tensors(path)


def test_a_damaged_checkpoint_gives_way_to_the_one_before_it(checkpoint: Path) -> None:
    expected = {name: tensor.clone() for name, tensor in learn(checkpoint.with_name("other"), epochs=5).model.state_dict().items()}
    kept, chance = checkpoint.read_bytes(), random.Random(1)
    assert read_tensors(previous(checkpoint))[1]["epoch"] == 2
    for damaged in chance.sample(damages(kept), 10):
        checkpoint.write_bytes(damaged)
        with pytest.warns(UserWarning, match=r"state\.safetensors is .*; going on from what it held before"):
            state = learn(checkpoint, epochs=3)
        assert state.epoch == 3
        found = learn(checkpoint, epochs=5).model.state_dict()
        assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
        checkpoint.unlink(), previous(checkpoint).unlink()
        learn(checkpoint, epochs=3)


def test_a_damaged_checkpoint_never_becomes_the_one_before(checkpoint: Path) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1])
    before = previous(checkpoint).read_bytes()
    with pytest.warns(UserWarning, match="going on from"):
        learn(checkpoint, epochs=3)
    assert previous(checkpoint).read_bytes() == before


def test_both_damaged_is_one_sentence(checkpoint: Path) -> None:
    for path in (checkpoint, previous(checkpoint)):
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"state\.safetensors is damaged: its checksum is not that of its content$"):
        learn(checkpoint, epochs=3)


EDITS = {
    "an epoch that is no number": lambda header: header.update(epoch="ten"),
    "no step": lambda header: header.pop("step"),
    "a history that is none": lambda header: header.update(history=None),
    "no optimiser": lambda header: header.pop("optimizer"),
    "groups that are none": lambda header: header["optimizer"].update(groups=3),
    "no settings": lambda header: header.update(settings=None),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_what_somebody_edited_is_one_sentence(edit: object, checkpoint: Path) -> None:
    """Somebody may take the checksum away too, and call the file one of an earlier version."""
    import safetensors.torch

    tensors, header = read_tensors(checkpoint)
    edit(header)  # type: ignore[operator]
    previous(checkpoint).unlink()
    safetensors.torch.save_file(tensors, checkpoint, {"format": WITHOUT_CHECKSUM, "harmonium": json.dumps(header)})
    with pytest.raises(ValueError, match="checkpoint"):
        learn(checkpoint, epochs=3)


def test_files_of_earlier_versions_are_read(checkpoint: Path) -> None:
    import safetensors.torch

    tensors, header = read_tensors(checkpoint)
    safetensors.torch.save_file(tensors, checkpoint, {"format": WITHOUT_CHECKSUM, "harmonium": json.dumps(header)})
    assert learn(checkpoint, epochs=4).epoch == 4


def test_infinite_momentum_is_not_kept(tmp_path: Path) -> None:
    def spoil(state: TrainingState) -> None:
        if state.epoch == 2:
            next(iter(state.optimizer.state.values()))["momentum_buffer"].fill_(float("inf"))

    path, rbm = tmp_path / "state", hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    with pytest.raises(FloatingPointError, match="momentum_buffer is not finite"):
        hm.fit(rbm, torch.eye(6), epochs=3, checkpoint=path, callbacks=spoil, progress=False,
               optimizer=lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9))  # fmt: skip
    assert read_tensors(path)[1]["epoch"] == 1


def test_no_model_of_nan_is_saved(tmp_path: Path) -> None:
    rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    rbm.coupling.weight.data[2, 1] = float("nan")
    with pytest.raises(ValueError, match=r"coupling\.weight of this RBM holds NaN"):
        hm.save(rbm, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_nothing_is_written_through_a_link(checkpoint: Path, tmp_path: Path) -> None:
    """Whatever lies in the folder under a temporary name of whatever kind."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    for name in (f".{checkpoint.name}.tmp", f".{checkpoint.name}.0.tmp"):
        os.symlink(victim, tmp_path / name)
    learn(checkpoint, epochs=4)
    assert victim.read_text() == "mine"
    os.symlink(victim, tmp_path / "metrics.jsonl")
    with pytest.raises(OSError, match=r"metrics\.jsonl"):
        append_row(tmp_path / "metrics.jsonl", {"phase": "x"})
    assert victim.read_text() == "mine"


ROWS = [{"phase": "layer 1", "epoch": float(epoch), "error": 1 / epoch} for epoch in (1, 2, 3)]


def test_rows_of_metrics_survive_half_a_line_and_show_damage(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    for row in ROWS[:2]:
        append_row(path, row)
    path.write_bytes(path.read_bytes()[:-9])  # the second is cut off
    append_row(path, ROWS[2])
    assert read_rows(path) == [ROWS[0], ROWS[2]]
    rewrite_rows(path, ROWS)
    assert path.read_text() == "".join(map(line, ROWS))
    content = path.read_bytes()
    for byte in range(len(content)):
        path.write_bytes(content[:byte] + bytes([content[byte] ^ 1]) + content[byte + 1 :])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert all(row in ROWS for row in read_rows(path))


def test_no_model_of_nan_is_loaded(tmp_path: Path) -> None:
    from harmonium.files import write_tensors
    from harmonium.models.saving import describe

    rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    rbm.hidden.bias.data[1] = float("inf")
    write_tensors(tmp_path / "model", rbm.state_dict(), {"model": describe(rbm), "dtype": "float32"})
    with pytest.raises(ValueError, match=r"hidden\.bias in the file holds NaN or infinity"):
        hm.load(tmp_path / "model")


@pytest.mark.parametrize("sizes", [(20_000, 20_000), (2**20, 2**20), (2**40, 2**40), (-3, 4)])
def test_sizes_that_the_file_does_not_hold_cost_nothing(sizes: tuple[int, int], tmp_path: Path) -> None:
    import resource

    from harmonium.files import write_tensors

    units = [{"kind": "Bernoulli", "shape": [size]} for size in sizes]
    model = {"kind": "RBM", "visible": units[0], "hidden": units[1], "coupling": {"kind": "Dense", "visible": sizes[0], "hidden": sizes[1]}}
    write_tensors(tmp_path / "model", {"coupling.weight": torch.zeros(2, 2)}, {"model": model, "dtype": "float32"})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match="cannot be loaded"):
        hm.load(tmp_path / "model")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 15  # KiB


def test_descriptions_too_deep_for_the_stack_are_one_sentence(tmp_path: Path) -> None:
    import safetensors.torch

    deep = '{"model": ' + '{"kind": "Groups", "parts": [' * 5000 + "]}" * 5000 + ', "dtype": "float32"}'
    safetensors.torch.save_file({"x": torch.zeros(1)}, tmp_path / "model", {"format": WITHOUT_CHECKSUM, "harmonium": deep})
    with pytest.raises(ValueError, match="model"):
        hm.load(tmp_path / "model")
