"""The commands, as a user types them, on a smoke run of the digits."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

import harmonium as hm
from harmonium import cli
from harmonium.recipes import RECIPES, REGISTRY, Digits
from harmonium.recipes.digits import recipe as demo
from harmonium.recipes.digits.baselines import baselines
from harmonium.recipes.digits.recipe import Labelled, labelled_net
from harmonium.recipes.listing import listing
from harmonium.recipes.shared.fine_tuned_stack import Plan
from harmonium.recipes.shared.labelled_split import split
from harmonium.recipes.shared.stack import Generation, Layers, Tuning
from harmonium.runs import record as records
from harmonium.runs import table
from harmonium.runs.folder import Run


def harmonium(monkeypatch: pytest.MonkeyPatch, *words: str) -> str | int | None:
    """Runs a command here; gives what it exits with, None for success."""
    monkeypatch.setattr(sys, "argv", ["harmonium", *words])
    try:
        cli.main()
    except SystemExit as end:
        return end.code or None
    return None


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that look at no picture of a run: those of the same settings are drawn, and looked at, in the shared one."""
    monkeypatch.setattr(demo, "draw", lambda *given: None)


@pytest.fixture
def folder(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in a present folder of its own."""
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(finished, tmp_path / "runs" / "digits")


def test_a_run_leaves_what_it_promises(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {"checkpoints", "config.json", "metrics.jsonl", "results.json", "report.html"}
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    phases = [(row["phase"], row["epoch"]) for row in rows]
    stack = [(phase, 1) for phase in ("layer 1", "layer 2", "layer 3", "top layer with labels")]
    assert phases == [*stack, *((phase, epoch) for phase in ("up-down", "backpropagation") for epoch in (1, 2, 3))]
    results = json.loads((folder / "results.json").read_text())
    found = {name: metric["value"] for name, metric in results["metrics"].items()}
    assert {name for name in found if "test" in name} == {
        "test_error_percent",
        "bottom_rbm_test_nats_fixed_stochastic",
        "generative_test_error_percent",
        "naive_bayes_test_error_percent",
        "logistic_regression_test_error_percent",
        "naive_bayes_test_nats_fixed_stochastic",
        "independent_pixels_test_nats_fixed_stochastic",
    }
    nats = results["metrics"]["bottom_rbm_test_nats_fixed_stochastic"]
    assert nats["verdict"] == "doubtful"  # 20 betas and 5 sweeps
    assert nats["trust"].startswith("Do not rely on this figure")
    others = ("", "_of_a_quarter_of_the_betas", "_by_reverse_ais", "_by_raise")
    assert all(f"bottom_rbm_log_z{other}" in found for other in others)
    assert 0 <= results["metrics"]["test_error_percent"]["value"] <= 100
    assert results["seconds"] == pytest.approx(sum(row["seconds"] for row in (*rows[:4], rows[6], rows[-1])), abs=0.1)
    report = (folder / "report.html").read_text()
    assert report.count("data:image/png;base64,") == 10
    assert ">class 9<" not in report  # the names of rows are in the picture
    assert "Every class on demand" in report
    assert report.count("baseline: ") == 5
    assert not any(f">{name}</th>" in report for name in ("published", "source"))  # nothing is published: no empty column
    assert not re.search(r"""(?:src|href)=["']?https?:""", report)


@pytest.mark.usefixtures("undrawn")
def test_the_same_seed_gives_the_same_bits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert harmonium(monkeypatch, "run", "digits", "--smoke", "--threads", "1", "--out", "again") is None
    one, two = (json.loads((where / "results.json").read_text())["metrics"] for where in (folder, Path("again")))
    assert one == two


def test_running_again_goes_on_and_other_settings_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (folder / "results.json").read_text()
    assert harmonium(monkeypatch, "run", "digits", "--smoke", "--threads", "1") is None
    assert json.loads((folder / "results.json").read_text())["metrics"] == json.loads(before)["metrics"]
    answer = harmonium(monkeypatch, "run", "digits", "--smoke", "--threads", "1", "--seed", "5")
    assert "other settings (seed)" in str(answer)
    assert "--fresh" in str(answer)
    assert harmonium(monkeypatch, "run", "digits", "--smoke", "--threads", "1", "--seed", "5", "--fresh") is None
    assert json.loads((folder / "results.json").read_text())["seed"] == 5


def test_resume_sample_report_evaluate_and_list(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (folder / "results.json", folder / "report.html", folder / "checkpoints" / "backpropagation.safetensors"):
        path.unlink()
    assert "has not finished" in str(harmonium(monkeypatch, "evaluate", str(folder)))
    assert harmonium(monkeypatch, "sample", str(folder), "--steps", "2") is None
    assert (folder / "samples.png").read_bytes().startswith(b"\x89PNG")
    assert harmonium(monkeypatch, "report", str(folder)) is None
    assert "has not finished" in (folder / "report.html").read_text()
    assert harmonium(monkeypatch, "page", str(folder)) is None
    assert harmonium(monkeypatch, "page", str(folder), "-o", "mine.html") is None
    assert (folder / "page.html").read_bytes() == Path("mine.html").read_bytes()
    assert harmonium(monkeypatch, "resume", str(folder)) is None
    assert harmonium(monkeypatch, "evaluate", str(folder), "--betas", "50", "--chains", "20", "--sweeps", "30") is None
    assert (folder / "evaluation.png").read_bytes().startswith(b"\x89PNG")
    assert harmonium(monkeypatch, "list") is None
    said = " ".join(capsys.readouterr().out.split())
    assert re.search(r"log p: -\d+\.\d\d ± \d+\.\d\d nats per case, over 300 cases", said)
    assert re.search(r"AIS, 200 betas +-\d", said)
    assert "a mode that no chain" in said
    assert "mnist-dbn" in said


@pytest.mark.usefixtures("undrawn")
def test_a_run_names_every_commit_that_took_part_and_whether_defaults_changed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = json.loads((folder / "config.json").read_text())["sessions"][0]["commit"]
    results = json.loads((folder / "results.json").read_text())
    assert (results["commit"], results["defaults_changed"]) == (begun, [])
    assert results["settings"]["layers"]["epochs"] == 100
    assert not {"seed", "threads", "out", "record"} & results["settings"].keys()
    monkeypatch.setattr("harmonium.runs.folder.commit", lambda: "later")
    assert harmonium(monkeypatch, "resume", str(folder)) is None
    monkeypatch.setattr("harmonium.runs.folder.commit", lambda: "last")
    # As if its default were another by then.
    original = Digits.__init__
    monkeypatch.setattr(Digits, "__init__", lambda self, held_out=3, **rest: original(self, held_out=held_out, **rest))
    assert harmonium(monkeypatch, "resume", str(folder)) is None
    results = json.loads((folder / "results.json").read_text())
    assert results["commit"] == f"{begun}, later, last"
    assert results["defaults_changed"] == ["held_out"]
    sessions = json.loads((folder / "config.json").read_text())["sessions"]
    assert [session["unlike_defaults"] for session in sessions] == [["smoke"], ["smoke"], ["held_out", "smoke"]]
    assert all("digits" in session["command"] for session in sessions)


def test_a_run_of_an_earlier_version_names_its_commit(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"recipe": "digits", "settings": {"seed": 1}, "commit": "first"}))
    found = Run.open(tmp_path)
    found.take_part(Digits)
    assert Run.open(tmp_path).commits[0] == "first"
    assert Run.open(tmp_path).sessions[1]["command"].startswith("harmonium")


def test_fresh_deletes_no_other_program_s_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    for name in ("config.json", "results.json"):
        (tmp_path / "other" / name).write_text('{"mine": 1}')
    assert "is no run's configuration" in str(harmonium(monkeypatch, "run", "digits", "--fresh", "--out", "other"))
    assert {path.name for path in (tmp_path / "other").iterdir()} == {"config.json", "results.json"}


@pytest.mark.usefixtures("undrawn")
def test_record_appends_one_seed_and_refuses_it_twice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan("default", Layers(units=(20,), epochs=1), Generation(epochs=1), {"backpropagation": Tuning(epochs=1)})
    monkeypatch.setattr(Digits, "plan", lambda self: plan._replace(seed=self.seed))
    monkeypatch.setattr(demo, "learn_labels", lambda run, plan, how, cases, stack: labelled_net(stack, how.units, plan.seed))
    chains, judge = demo.on_demand, demo.bottom_likelihood  # as long as a smoke run's: what they show is not looked at
    monkeypatch.setattr(demo, "bottom_likelihood", lambda *given, **settings: judge(*given, **{**settings, "betas": 20, "sweeps": 5}))
    monkeypatch.setattr(demo, "on_demand", lambda options, *rest: chains(dataclasses.replace(options, smoke=True), *rest))
    for seed in ("0", "1"):
        words = ("run", "digits", "--threads", "1", "--seed", seed, "--out", f"runs/{seed}", "--record")
        assert harmonium(monkeypatch, *words) is None
    (record,) = json.loads(Path("results/digits.json").read_text())["records"]
    values = record["metrics"]["test_error_percent"]["values"]
    assert (record["seeds"], len(values)) == ([0, 1], 2)
    assert record["metrics"]["test_error_percent"]["mean"] == pytest.approx(sum(values) / 2)
    assert record["metrics"]["test_error_percent"]["sd"] == pytest.approx(abs(values[0] - values[1]) / 2**0.5)
    assert "already has seed 1" in str(harmonium(monkeypatch, *words))
    assert harmonium(monkeypatch, *words, "--supersede", "to see that it is moved") is None
    content = json.loads(Path("results/digits.json").read_text())
    assert [each["seeds"] for each in content["records"]] == [[0, 1]]
    (moved,) = content["superseded"]
    assert moved["metrics"]["test_error_percent"]["values"] == values[1:]
    assert moved["superseded"]["reason"] == "to see that it is moved"


def test_a_record_names_no_folder_of_one_machine(tmp_path: Path) -> None:
    found = {"published": None, "value": 1.0, "unit": "nats"}
    results = {"recipe": "r", "paper": "p", "setting": "s", "machine": "m", "seed": 1, "seconds": 2.0, "commit": "c"}
    results |= {"settings": {}, "defaults_changed": []}
    results |= {"metrics": {"test_nats": found, "log_z": found, "kl": found | {"published": "0"}}}
    results |= {"command": "harmonium run r --out /home/me/a --seed 1 --data-dir '/my data' --record --out runs/a"}
    path = records.append(results, tmp_path)
    (record,) = json.loads(path.read_text())["records"]
    assert record["commands"] == ["harmonium run r --seed 1 --record --out runs/a"]
    assert [row["metric"] for row in table.rows(RECIPES, tmp_path)] == ["test nats", "log z", "kl"]


def test_held_out_cases_never_touch_the_test_set(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert harmonium(monkeypatch, "run", "digits", "--smoke", "--threads", "1", "--held-out", "200", "--out", "held") is None
    metrics = json.loads(Path("held/results.json").read_text())["metrics"]
    assert {"validation_error_percent", "bottom_rbm_validation_nats_fixed_stochastic"} <= set(metrics)
    assert not any("test" in name for name in metrics)


@pytest.mark.parametrize("words", [("--smoke",), ("--held-out", "100"), ("--layers.epochs", "3")])
def test_only_the_recipe_s_own_settings_are_recorded(words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    answer = harmonium(monkeypatch, "run", "digits", *words, "--record")
    assert "these are changed: " + words[0].strip("-").replace("-", "_").split(".")[0] in str(answer)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("resume", "nowhere"), "nowhere holds no run"),
        (("sample", "spoilt"), "is no run's configuration"),
        (("resume", "foreign"), "which is no recipe of this version"),
        (("run", "digits", "--out", "full"), "is not empty and holds no run"),
        (("run", "mnist-dbn", "--data-dir", "nowhere"), "nowhere"),
        (("run", "digits", "--held-out", "100000", "--threads", "1"), "100000|100,000"),
    ],
)
def test_a_hurried_user_gets_one_sentence(words: tuple[str, ...], answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in (("spoilt", "{"), ("foreign", '{"recipe": "x", "settings": {}}')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(content)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("all I have")
    said = harmonium(monkeypatch, *words)
    assert isinstance(said, str)
    assert re.search(answer, said)
    assert said.startswith("harmonium: ")
    assert (tmp_path / "full" / "thesis.txt").read_text() == "all I have"


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("--seed", "-1"), "--seed takes numbers from 0"),
        (("--threads", "0"), "at least one thread"),
        (("--layers.units",), "layers of at least one unit"),
        (("--seed", "one"), "one"),
    ],
)
def test_options_out_of_range_are_refused_before_anything_is_written(
    words: tuple[str, ...], answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert harmonium(monkeypatch, "run", "digits", *words) == 2
    said = capsys.readouterr().err
    assert said.startswith("harmonium: ")
    assert answer in said
    assert said.endswith("; `harmonium run digits --help` shows what it takes\n")
    assert said.count("\n") == 1
    assert not any(tmp_path.iterdir())


def test_the_installed_command_answers() -> None:
    command = Path(sys.executable).with_name("harmonium")
    said = subprocess.run([command, "run", "digits", "--help"], capture_output=True, text=True, check=True).stdout
    assert "--layers.learning-rate" in said


def test_threads_are_the_users_choice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert harmonium(monkeypatch, "sample", str(folder), "--steps", "1") is None
    assert torch.get_num_threads() == 1


def answered(*words: str, folder: Path) -> tuple[str, int]:
    """What a new process says to a command, which must not have imported PyTorch, and its exit code."""
    program = (
        "import sys\nfrom harmonium import cli\n"
        f"sys.argv = {['harmonium', *words]!r}\n"
        "try:\n    cli.main()\n"
        "finally:\n    assert not {'torch', 'numpy', 'matplotlib'} & sys.modules.keys(), 'imported'\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=folder)
    return done.stdout + done.stderr, done.returncode


@pytest.mark.parametrize(
    ("words", "answer", "code"),
    [
        ((), "usage: harmonium COMMAND", 0),
        (("--help",), "resume    RUN       go on with a run", 0),
        (("--version",), f"harmonium {hm.__version__}\n", 0),
        (("list",), "mnist-rbm", 0),
        (("run", "--help"), "The demo: a deep belief net", 0),
        (("rnu",), "there is no command 'rnu'; did you mean run?\n", 2),
        (("frobnicate",), "there is no command 'frobnicate'; `harmonium --help` names them all\n", 2),
        (("run", "digts"), "there is no recipe 'digts'; did you mean digits?\n", 2),
        (("list", "mnist-rmb"), "there is no recipe 'mnist-rmb'; did you mean mnist-rbm?\n", 2),
        (("run", "hands"), "there is no recipe 'hands'; `harmonium list` shows them all\n", 2),
        (("run",), "run takes the name of a recipe, and none was given", 2),
        (("sample",), "sample takes the folder of a run, and none was given", 2),
        (("resume", "runs/digts"), "runs/digts holds no run (there is no runs/digts/config.json); did you mean runs/digits?\n", 1),
        (("resume", "digits"), "digits holds no run (there is no digits/config.json); did you mean runs/digits?\n", 1),
        (("report", "nowhere"), "`harmonium run RECIPE` makes one\n", 1),
    ],
)
def test_the_terminal_answers_without_pytorch(words: tuple[str, ...], answer: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "runs" / "digits").mkdir(parents=True)
    (tmp_path / "runs" / "digits" / "config.json").write_text("{}")
    said, ended = answered(*words, folder=tmp_path)
    assert answer in said
    assert ended == code
    assert "Traceback" not in said
    if code:
        assert said.startswith("harmonium: ")
        assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("run", "digits", "--sede", "3"), "--sede is not known here (did you mean --seed?); `harmonium run digits --help`"),
        (("run", "digits", "--device", "gpu"), "--device takes one of 'cpu', 'cuda', found 'gpu'; "),
        (("run", "digits", "--layers.learning-rate", "x"), "--layers.learning-rate takes a number, found 'x'; "),
        (("record", "supersede", "digits"), "missing: --setting STR, --reason STR; "),
    ],
)
def test_an_option_that_does_not_fit_is_one_sentence(
    words: tuple[str, ...], answer: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert harmonium(monkeypatch, *words) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"harmonium: {answer}")
    assert said.count("\n") == 1


@pytest.mark.parametrize("width", [80, 120])
def test_the_list_has_a_line_a_recipe_that_fits(width: int) -> None:
    lines = listing(width, Path(__file__).parents[2] / "results").splitlines()
    assert max(map(len, lines)) <= width
    assert [line.split()[0] for line in lines[2:]] == [entry.name for entry in REGISTRY]
    rbm = next(line for line in lines if line.startswith("mnist-rbm "))
    assert re.search(r"-86\.34 +-86\.\d\d nats doubtful +7\.7 min$" if width == 120 else r"units on… +-86\.\d\d nats doubtful$", rbm)
    if width == 120:
        assert "…" not in "".join(lines)


def test_details_of_a_recipe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert harmonium(monkeypatch, "list", "mnist-rbm") is None
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    assert "Paper: Salakhutdinov & Murray 2008." in said
    assert "full, learnt from fixed pixels" in said


def test_every_public_name_is_there_and_star_import_too() -> None:
    program = "import sys, harmonium as hm\nassert 'torch' not in sys.modules\nfrom harmonium import *\n"
    program += "assert set(hm.__all__) <= set(globals()) and set(hm.__all__) <= set(dir(hm))\n"
    program += "assert RBM is hm.RBM is hm.models.RBM and hm.likelihood.ais and 'torch' in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
    with pytest.raises(AttributeError, match="no attribute 'Perceptron'"):
        hm.Perceptron  # noqa: B018


def test_baselines_against_arithmetic_of_their_own() -> None:
    data = hm.data.digits.load()
    found = baselines(split(data, 0))
    assert 2 < found.logistic_regression < 6 < found.naive_bayes < 15 < found.most_frequent
    p = (data.train_images.double().sum(0) / 255 + 1) / (len(data.train_images) + 2)
    bits = hm.data.binarise(data.test_images, "fixed", seed=30)
    expected = torch.distributions.Bernoulli(p).log_prob(bits.double()).sum(1).mean().item()
    assert found.independent_pixels == pytest.approx(expected, abs=1e-9)
    assert expected + 2 < found.class_pixels < -15  # knowing the class tells much about a pixel, and not everything
    assert found.recognised(data.test_images / 255, data.test_labels) == pytest.approx(100 - found.logistic_regression)


def test_a_run_begun_before_labels_resumes_without_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("--labelled.epochs", "0", "--layers.units", "20", "10", "--smoke", "--out", "old")
    assert harmonium(monkeypatch, "run", "digits", *words) is None
    before = json.loads(Path("old/results.json").read_text())["metrics"]
    configuration = json.loads(Path("old/config.json").read_text())
    assert configuration["settings"].pop("labelled")["epochs"] == 0
    Path("old/config.json").write_text(json.dumps(configuration))
    for name in ("results.json", "checkpoints/backpropagation.safetensors"):
        Path("old", name).unlink()
    assert harmonium(monkeypatch, "resume", "old") is None
    assert json.loads(Path("old/results.json").read_text())["metrics"] == before
    assert Path("old/checkpoints/top-layer-for-generation.safetensors").exists()
    assert harmonium(monkeypatch, "sample", "old", "--steps", "2") is None
    with pytest.raises(ValueError, match="learns for an epoch"):
        Labelled(up_down_epochs=0)


def test_a_warning_is_said_without_the_place_in_the_code(monkeypatch, capsys):
    usual = warnings.formatwarning
    monkeypatch.setattr("harmonium.commands.carry_out", lambda words: print(warnings.formatwarning("a sentence", hm.Advice, "cli.py", 8)))
    monkeypatch.setattr(sys, "argv", ["harmonium", "run", "digits"])
    cli.main()
    assert capsys.readouterr().out == "harmonium: a sentence\n\n"
    assert warnings.formatwarning is usual


def policy(load: str, **environment: str) -> list[str]:
    """How threads wait when a command begins on a machine of this load; and whether PyTorch was there before that was settled."""
    lines = (
        "import os, sys, types",
        f"os.getloadavg = lambda: {load}",
        "commands = types.ModuleType('harmonium.commands')",
        "commands.carry_out = lambda words: print(os.environ.get('OMP_WAIT_POLICY'), 'torch' in sys.modules)",
        "sys.modules['harmonium.commands'] = commands",
        "sys.argv = ['harmonium', 'run', 'digits']",
        "from harmonium.cli import main; main()",
    )
    inherited = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    found = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], env=inherited | environment, capture_output=True, text=True, check=True
    )
    return found.stdout.split()


def test_threads_sleep_while_they_wait_beside_other_work() -> None:
    processors = os.cpu_count() or 1
    assert policy(f"({processors + 0.5}, 0, 0)") == ["PASSIVE", "False"]
    assert policy(f"({processors}, 99, 99)") == ["None", "False"]
    assert policy(f"({processors + 0.5}, 0, 0)", OMP_WAIT_POLICY="ACTIVE") == ["ACTIVE", "False"]
    assert policy("1 / 0 if False else (_ for _ in ()).throw(OSError())") == ["None", "False"]
