"""`harmonium train` and what its models are asked, as a user types them."""

import csv
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.io import mmwrite

import harmonium as hm
from harmonium.data.sheets import parse, written
from harmonium.runs.folder import Run
from tests.recipes.test_command_line import harmonium

FAST = ("--threads", "1", "--updates", "20")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A present folder of its own, with a table of two groups of rows: every column tells the group, and cells are missing."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    group = np.arange(200) % 2
    lines = ["length;colour;eggs;kind"]
    for row, one in enumerate(group):
        cells = [f"{rng.normal(3 + 4 * one, 0.3):.2f}", "red" if one else "blue", str(rng.poisson(1 + 3 * one)), f"type {one}"]
        if row % 10 == 3:
            cells[row // 10 % 2] = "" if row % 20 == 3 else "?"
        lines.append(";".join(cells))
    Path("birds.csv").write_text("\n".join(lines) + "\n")


def ran(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    assert harmonium(monkeypatch, *words) is None


def rows(path: str) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter=";" if path == "birds.csv" else ","))


@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_a_table_is_learnt_its_gaps_filled_and_its_features_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran(monkeypatch, "train", "birds.csv", "--hidden", "4", "--missing", "?", "--threads", "1", "--updates", "300")
    said = capsys.readouterr().out
    assert "birds.csv: 200 rows of 4 columns, taken for 1 real, 2 binary, 1 count" in said
    ran(monkeypatch, "impute", "runs/birds", "birds.csv", "-o", "filled.csv")
    gaps = 0
    for row, (before, after) in enumerate(zip(rows("birds.csv"), rows("filled.csv"), strict=True)):
        for name, cell in before.items():
            if cell in ("", "?"):
                gaps += 1
                expected = {"length": 3 + 4 * (row % 2), "colour": "red" if row % 2 else "blue"}[name]
                found = after[name]
                assert abs(float(found) - expected) < 0.5 if name == "length" else found == expected
            else:
                assert after[name] == cell
    assert gaps == 20
    ran(monkeypatch, "features", "runs/birds", "birds.csv", "-o", "features.npy")
    features = np.load("features.npy")
    model = hm.load("runs/birds/model.safetensors")
    frame_like = parse(Path("birds.csv").read_text(), "", frozenset({"", "?"}))
    table = hm.data.from_frame(frame_like)
    whole = ~table.rows.isnan().any(1)
    torch.testing.assert_close(torch.from_numpy(features)[whole], model.hidden_mean(table.rows[whole]))


def test_the_held_out_nats_are_those_of_rows_it_did_not_learn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    data = torch.rand(60, 8, generator=torch.Generator().manual_seed(0)) < 0.5
    np.save("coins.npy", data.numpy())
    ran(monkeypatch, "train", "coins.npy", "--hidden", "3", *FAST)
    results = Run.open("runs/coins").results()
    model = hm.load("runs/coins/model.safetensors")
    states = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 8)
    log_z = torch.logsumexp(-model.free_energy(states), 0).item()
    log_p = -model.free_energy(data.float()) - log_z
    from harmonium.train_commands import Train

    cases = Train(data=Path("coins.npy"), hidden=(3,)).cases()
    assert cases.held_out is not None
    learnt, held = cases.rows.states, cases.held_out.states
    assert len(held) == 6
    assert sorted(map(tuple, torch.cat([learnt, held]).tolist())) == sorted(map(tuple, data.tolist()))
    of_held = (-model.free_energy(held.float()) - log_z).mean().item()
    assert results["metrics"]["held_out_nats"]["value"] == pytest.approx(of_held, abs=1e-4)
    assert of_held != pytest.approx(log_p.mean().item(), abs=1e-4)
    p = learnt.double().mean(0)
    alone = (held.double() @ p.log() + (1 - held.double()) @ (1 - p).log()).mean().item()
    assert results["metrics"]["held_out_nats_of_independent_units"]["value"] == pytest.approx(alone, abs=0.05)


def test_labels_make_a_classifier_of_a_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [
        line for line in Path("birds.csv").read_text().splitlines() if "?" not in line and not line.startswith(";") and ";;" not in line
    ]
    Path("whole.csv").write_text("\n".join(whole))
    ran(monkeypatch, "train", "whole.csv", "--hidden", "6", "4", "--labels", "kind", "--threads", "1", "--updates", "100")
    assert Run.open("runs/whole").results()["metrics"]["held_out_error_percent"]["value"] == 0
    ran(monkeypatch, "predict", "runs/whole", "whole.csv", "-o", "labels.csv")
    Path("unlabelled.csv").write_text("\n".join(line.rpartition(";")[0] for line in whole))
    ran(monkeypatch, "predict", "runs/whole", "unlabelled.csv", "-o", "again.csv")
    assert Path("labels.csv").read_text() == Path("again.csv").read_text()
    kinds = [line.rpartition(";")[2] for line in whole[1:]]
    assert np.mean([found["label"] == kind for found, kind in zip(rows("labels.csv"), kinds, strict=True)]) > 0.99
    assert "has 2" in str(harmonium(monkeypatch, "impute", "runs/whole", "whole.csv", "-o", "x.csv"))
    assert "holds no label" not in str(harmonium(monkeypatch, "compare", "runs/whole", "runs/whole"))


def test_a_classifier_of_numbers_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    group = np.arange(200) % 2
    np.save("large.npy", 5000 + 300 * (rng.normal(size=(200, 4)) + 3 * group[:, None]))
    np.save("groups.npy", group)
    ran(monkeypatch, "train", "large.npy", "--hidden", "6", "--labels", "groups.npy", "--threads", "1", "--updates", "100")
    assert Run.open("runs/large").results()["metrics"]["held_out_error_percent"]["value"] == 0
    ran(monkeypatch, "predict", "runs/large", "large.npy", "-o", "labels.csv")
    assert np.mean([int(found["label"]) == one for found, one in zip(rows("labels.csv"), group, strict=True)]) > 0.99


def test_an_interrupted_run_resumes_to_the_same_bits(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--missing", "?", "--hidden", "3", "--threads", "1", "--epochs", "4")
    ran(monkeypatch, "train", "birds.csv", *words)
    ran(monkeypatch, "train", "birds.csv", *words, "--out", "two")
    stop = {"epoch": 2}

    def stopping(state: hm.TrainingState) -> None:
        if state.epoch == stop["epoch"]:
            raise KeyboardInterrupt

    callbacks = Run.callbacks
    with monkeypatch.context() as patch:
        patch.setattr(Run, "callbacks", lambda run, phase: [*callbacks(run, phase), stopping])
        assert "harmonium resume" in str(harmonium(patch, "train", "birds.csv", *words, "--out", "three"))
    assert not Path("three/model.safetensors").exists()
    assert "has not finished" in str(harmonium(monkeypatch, "features", "three", "birds.csv", "-o", "f.npy"))
    ran(monkeypatch, "resume", "three")
    models = [hm.load(f"{folder}/model.safetensors").state_dict() for folder in ("runs/birds", "two", "three")]
    for name, tensor in models[0].items():
        assert all(torch.equal(tensor, other[name]) for other in models[1:]), name
    assert "held-out log p" in capsys.readouterr().out
    Path("birds.csv").write_text(Path("birds.csv").read_text().replace("blue", "green"))
    assert "has changed" in str(harmonium(monkeypatch, "resume", "three"))


def test_arrays_sparse_matrices_and_images(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    np.savez("two.npz", grey=rng.integers(0, 256, (40, 4, 3)).astype(np.uint8), real=rng.normal(size=(40, 5)))
    mmwrite("words.mtx", sparse.random(60, 9, 0.3, random_state=0, data_rvs=lambda n: rng.integers(1, 5, n)))
    assert "name one with --key" in str(harmonium(monkeypatch, "train", "two.npz"))
    for key, kind in (("grey", "grey levels"), ("real", "real numbers")):
        ran(monkeypatch, "train", "two.npz", "--key", key, "--out", key, "--hidden", "20", *FAST)
        assert f"taken for {kind}" in capsys.readouterr().out
        ran(monkeypatch, "features", key, "two.npz", "-o", f"{key}.npy")
        assert np.load(f"{key}.npy").shape == (40, 20)
    ran(monkeypatch, "sample", "grey", "--steps", "2")
    ran(monkeypatch, "train", "words.mtx", *FAST)
    assert "taken for counts" in capsys.readouterr().out
    image = pytest.importorskip("PIL.Image")
    Path("images").mkdir()
    for number, each in enumerate(np.load("two.npz")["grey"]):
        image.fromarray(each).save(f"images/{number:02}.png")
    ran(monkeypatch, "train", "images", "--hidden", "20", *FAST)
    ran(monkeypatch, "features", "runs/images", "images", "-o", "images.npy")
    np.testing.assert_array_equal(np.load("images.npy"), np.load("grey.npy"))  # the same numbers, whatever they are read from
    ran(monkeypatch, "compare", "grey", "real")
    said = capsys.readouterr().out
    assert "grey" in said
    image.new("L", (9, 9)).save("images/odd.png")
    assert "images of one size" in str(harmonium(monkeypatch, "train", "images"))


def test_what_cannot_be_learnt_is_refused_and_leaves_no_folder(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (Path("sprung"),)  # type: ignore[return-value]

    Path("trap.npy").write_bytes(pickle.dumps(Trap()))
    np.save("objects.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
    Path("ragged.csv").write_text("a,b\n1,2\n3\n")
    Path("empty.csv").write_text("")
    Path("bytes.csv").write_bytes(b"\xff\xfe\x00")
    Path("bad.npz").write_bytes(b"PK\x03\x04")
    Path("bad.mtx").write_text("hello")
    np.save("spins.npy", np.full((30, 2), -1.0))
    wrong = {
        "trap.npy": "only arrays of numbers",
        "objects.npy": "only arrays of numbers",
        "ragged.csv": "line 3 .* has 1 cells, and 2 are expected",
        "empty.csv": "holds no rows",
        "bytes.csv": "no text in UTF-8",
        "bad.npz": "no complete .npz",
        "bad.mtx": "no Matrix Market file",
        "birds.png": "no file",
        "nothing": "no file",
    }
    for name, sentence in wrong.items():
        with pytest.raises(AssertionError, match=sentence):
            ran(monkeypatch, "train", name)
    assert "no numbers" in str(harmonium(monkeypatch, "train", "birds.csv", "--visible", "gaussian"))
    assert "poisson" in str(harmonium(monkeypatch, "train", "spins.npy", "--visible", "fish"))
    assert "Bernoulli units expect 0 or 1" in str(harmonium(monkeypatch, "train", "spins.npy", "--visible", "binary"))
    assert "neither" in str(harmonium(monkeypatch, "train", "birds.csv", "--labels", "beak"))
    assert "gaps" in str(harmonium(monkeypatch, "train", "birds.csv", "--missing", "?", "--labels", "kind"))
    assert harmonium(monkeypatch, "train") == 2
    assert harmonium(monkeypatch, "train", "birds.csv", "--hidden", "0") == 2
    assert harmonium(monkeypatch, "train", "birds.csv", "--epochs", "1", "--updates", "1") == 2
    assert "not in both" in capsys.readouterr().err
    assert not Path("runs").exists()
    assert not Path("sprung").exists()


def test_what_cannot_be_answered_is_told_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("old").mkdir()
    Path("old/config.json").write_text(json.dumps({"recipe": "digits", "settings": {"seed": 0}, "commit": "abc"}))
    for command in ("features", "impute", "predict"):
        said = str(harmonium(monkeypatch, command, "old", "birds.csv", "-o", "x.csv"))
        assert "old holds no model of your own data" in said
        assert "\n" not in said
    ran(monkeypatch, "train", "birds.csv", "--missing", "?", "--hidden", "2", *FAST)
    with monkeypatch.context() as patch:
        patch.setattr("harmonium.data_commands.impute_rows", None)  # would be called
        patch.setattr("harmonium.data_commands.means_of", None)
        assert "ends in .csv, .tsv" in str(harmonium(patch, "impute", "runs/birds", "birds.csv", "-o", "x.npy"))
        assert "can be written to" in str(harmonium(patch, "features", "runs/birds", "birds.csv", "-o", "nowhere/x.npy"))


def test_rows_and_labels_that_teach_nothing_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("one.csv").write_text("a,b\n1,2\n")
    assert "two rows or more, found 1" in str(harmonium(monkeypatch, "train", "one.csv"))
    Path("open.csv").write_text('a,b\n"' + "x" * 200_000)
    assert "a quotation mark never closed" in str(harmonium(monkeypatch, "train", "open.csv"))
    Path("measured.csv").write_text("a,b\n" + "".join(f"{row % 2},{row / 7}\n" for row in range(40)))
    assert "40 different values in 40 rows" in str(harmonium(monkeypatch, "train", "measured.csv", "--labels", "b"))
    np.save("none.npy", np.zeros((0, 3)))
    assert "of shape (0, 3)" in str(harmonium(monkeypatch, "train", "none.npy"))
    assert not Path("runs").exists()


def test_columns_are_left_out_and_a_model_is_evaluated(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    lines = [f"case {row},{one},{one},{two}" for row, (one, two) in enumerate(rng.integers(0, 2, (80, 2)))]
    Path("named.csv").write_text("\n".join(["name,a,b,c", *lines]))
    assert "'name'" in str(harmonium(monkeypatch, "train", "named.csv"))
    assert "no column 'nam'" in str(harmonium(monkeypatch, "train", "named.csv", "--without", "nam"))
    for kind in ((), ("--visible", "binary")):
        out = f"run-{len(kind)}"
        ran(monkeypatch, "train", "named.csv", "--without", "name", "--hidden", "3", "--out", out, *kind, *FAST)
        ran(monkeypatch, "features", out, "named.csv", "-o", f"{out}.csv")
        assert len(rows(f"{out}.csv")) == 80
        ran(monkeypatch, "evaluate", out, "--betas", "20", "--chains", "10", "--sweeps", "10")
    assert Path("run-0.csv").read_text() == Path("run-2.csv").read_text()
    assert "nats per case, over 8 cases" in capsys.readouterr().out


def test_a_file_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harmonium.data.readers.LARGEST", 100)
    assert "at most" in str(harmonium(monkeypatch, "train", "birds.csv"))
    np.savez_compressed("zeros.npz", np.zeros((1000, 1000)))  # small on the disk
    monkeypatch.setattr("harmonium.data.readers.LARGEST", 7_000_000)
    assert "at most" in str(harmonium(monkeypatch, "train", "zeros.npz"))


def test_a_sheet_comes_back_as_it_was() -> None:
    text = 'a,"b, c",d\n1,x,True\n,NA,False\n2.50,"y ""z""",True\n'
    sheet = parse(text, "text")
    assert sheet.columns == ["a", "b, c", "d"]
    assert written(sheet) == text
    assert parse("1 ,2\n3,4", "text").columns == ["column 1", "column 2"]
    np.testing.assert_array_equal(sheet["b, c"].missing, [False, True, False])
    with pytest.raises(ValueError, match="several columns named 'a'"):
        parse("a,a\n1,2", "text")


def test_what_a_run_keeps_reads_a_table_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules come from the rows that were learnt, not from those that are read later."""
    ran(monkeypatch, "train", "birds.csv", "--missing", "?", "--hidden", "3", *FAST)
    kept = json.loads(Path("runs/birds/data.json").read_text())["columns"]
    assert [each["kind"] for each in kept] == ["real", "binary", "count", "binary"]
    lines = Path("birds.csv").read_text().splitlines()
    Path("few.csv").write_text("\n".join([lines[0], *lines[1:3]]))
    ran(monkeypatch, "features", "runs/birds", "few.csv", "-o", "few.npy")
    ran(monkeypatch, "features", "runs/birds", "birds.csv", "-o", "all.npy")
    np.testing.assert_allclose(np.load("few.npy"), np.load("all.npy")[:2], rtol=1e-5)
    Path("few.csv").write_text(lines[0] + "\n3.1;violet;0;type 0\n")
    assert "'violet'" in str(harmonium(monkeypatch, "features", "runs/birds", "few.csv", "-o", "few.npy"))
