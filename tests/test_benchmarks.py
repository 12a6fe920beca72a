"""The benchmarks run, and their figures hang together."""

import contextlib
import importlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
import tyro
from rich.console import Console

import harmonium as hm
from harmonium.recipes import MnistJoint
from harmonium.recipes.shared.stack import Layers
from harmonium.runs import Run
from tests.recipes.test_mnist_joint import images
from tests.report.asked import ask
from tests.report.conftest import browser, visit
from tests.report.test_page import labelled_net

__all__ = ["browser", "images", "visit"]

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks"
FORCED = {"OPENBLAS_CORETYPE": "Nehalem" if platform.machine() in ("x86_64", "AMD64") else "ARMV8", "OPENBLAS_L2_SIZE": "256"}


def words(**options: object) -> list[str]:
    """These options as they are typed."""
    return [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def run(path: Path, *arguments: object, forced: bool = False, **options: object) -> subprocess.CompletedProcess[str]:
    """A benchmark, where asked to in an environment that forces another processor's BLAS kernel on NumPy."""
    command = [sys.executable, str(path), *map(str, arguments), *words(**options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **(FORCED if forced else {})})
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs one that starts no process in this one, from its command line on, and gives what it prints: a process takes seconds to begin."""
    monkeypatch.syspath_prepend(str(FOLDER))

    def typed(name: str, **options: object) -> str:
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *words(**options)])
        benchmark = importlib.import_module(name)
        benchmark.main(tyro.cli(benchmark.Arguments))
        return capsys.readouterr().out

    return typed


@pytest.fixture(scope="module")
def kernel() -> str:
    """The kernel that NumPy takes where none is forced on it, from a process that knows nothing of the benchmarks."""
    ask = "import numpy, threadpoolctl; print(next((p.get('architecture') for p in threadpoolctl.threadpool_info()), None))"
    clean = {name: value for name, value in os.environ.items() if name not in FORCED}
    own, forced = (
        subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True, env=environment).stdout.strip()
        for environment in (clean, clean | FORCED)
    )
    if own in ("None", forced):
        pytest.skip(f"OpenBLAS has no other kernel here than {own}")
    return own


def kernels_of(blas: list[str]) -> set[str]:
    """The OpenBLAS kernels that are named."""
    return {text.split()[2].rstrip(",") for text in blas if text.startswith("openblas")}


def test_dbm_step(tmp_path: Path, here: Callable[..., str]) -> None:
    path = tmp_path / "step.json"
    here("dbm_step", batch=4, chains=3, steps=1, sweeps=2, rounds=3, repeats=2, rows=8, threads=1, json=path)
    record = json.loads(path.read_text())
    lines = record["lines"]
    assert [line["line"] for line in lines] == ["matrix products", "harmonium: gradient", "harmonium: a step of hm.fit"]
    for line in lines:
        values = np.array(line["values_ms"])
        assert line["median_ms"] == pytest.approx(np.median(values))
        assert line["ratio_to_products"] == pytest.approx(np.median(values / lines[0]["values_ms"]))


def test_rbm_step(tmp_path: Path, kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Peers run beside ours with the kernel that their users get, though another one is forced on this process."""
    path = tmp_path / "step.json"
    done = run(FOLDER / "rbm_step.py", batches=8, rounds=3, rows=64, repeats=5, threads=1, data="random", json=path, forced=True)
    record = json.loads(path.read_text())
    rows = record["batches"]["8"]
    floor, fit = rows[0], rows[4]
    assert [row["contender"] for row in rows[:7]] == [
        "five matrix products",
        "five matrix products, bfloat16",
        'harmonium: gradient, "mean"',
        'harmonium: gradient, "sample"',
        "harmonium: a step of hm.fit",
        "harmonium: a step of hm.fit, bfloat16",
        "scikit-learn: BernoulliRBM.fit",
    ]
    for row in rows:
        values = np.array(row["values_ms"])
        assert len(values) == 3
        assert (values > 0).all()
        assert row["median_ms"] == pytest.approx(np.median(values))
        assert row["ratio_to_floor"] == pytest.approx(np.median(values / floor["values_ms"]))
        assert kernels_of(row["blas"]) == {kernel}
        assert {text.split(", ")[1] for text in row["blas"]} == {"1 threads"}
    sklearn = rows[6]
    assert sklearn["ratio_to_harmonium"] == pytest.approx(np.median(np.array(sklearn["values_ms"]) / fit["values_ms"]))
    assert record["data"] == "random uint8"
    assert record["machine"]["torch_threads"] == 1
    assert record["memory"]["peak_mib"] >= record["memory"]["imports_mib"] > 0
    # The table of docs/benchmarks.md, which names the kernel.
    lower, upper = sklearn["quartiles_ms"]
    figures = (
        f"{sklearn['median_ms']:.2f} | {lower:.2f}-{upper:.2f} | {sklearn['ratio_to_floor']:.2f} | {sklearn['ratio_to_harmonium']:.2f}"
    )
    assert f"| scikit-learn: BernoulliRBM.fit | {figures} |" in done.stdout
    assert kernel in done.stdout
    assert FORCED["OPENBLAS_CORETYPE"] not in done.stdout
    monkeypatch.syspath_prepend(str(FOLDER))
    assert importlib.import_module("rbm_step").shown(record) + "\n" == done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of its own with the package and its benchmarks, and one commit."""
    folder = tmp_path / "repository"
    for name in ("src", "benchmarks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    author = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    for command in (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "before"], ["tag", "before"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def test_rbm_step_against_a_commit(repository: Path, tmp_path: Path, kernel: str) -> None:
    """A working tree that sleeps at each step is slower than its commit by the sleep."""
    package = repository / "src" / "harmonium" / "__init__.py"
    slower = "import time\nfrom harmonium.learning import MomentumSGD\n"
    slower += "_step = MomentumSGD.step\nMomentumSGD.step = lambda self: (time.sleep(0.1), _step(self))[1]\n"
    package.write_text(package.read_text() + slower)
    path, options = tmp_path / "step.json", {"batches": 8, "rounds": 2, "rows": 32, "threads": 1, "data": "random"}
    done = run(repository / "benchmarks" / "rbm_step.py", against="before", json=path, **options)
    record = json.loads(path.read_text())
    found = record["batches"]["8"]
    there, here = (np.array(values) for values in found["values_ms"].values())
    assert len(there) == len(here) == 2
    assert ((here > 100) & (there < 100)).all()
    assert found["ratio"][1] == pytest.approx(np.median(here / there))
    assert kernels_of(found["blas"]) == {kernel}
    assert f"| batch 8: working tree | {np.median(here):.3f} |" in done.stdout
    assert record["commit"] == f"{record['against']}-changed"
    listed = subprocess.run(["git", "worktree", "list"], cwd=repository, capture_output=True, text=True, check=True).stdout
    assert len(listed.splitlines()) == 1


def test_replicas(tmp_path: Path) -> None:
    path = tmp_path / "replicas.json"
    run(FOLDER / "replicas.py", "--smoke", threads=1, json=path)
    lines = json.loads(path.read_text())["lines"]
    optimizers = ("SGD", "SGD with momentum")
    assert [line["line"] for line in lines] == [f"{title}, {name}" for name in optimizers for title in ("one by one", "as replicas")]
    for alone, many in zip(lines[::2], lines[1::2], strict=True):
        assert alone["times_as_fast"] == 1
        assert many["times_as_fast"] == pytest.approx(np.median(np.array(alone["values_ms"]) / np.array(many["values_ms"])))


SCRIPTS = sorted(path for path in FOLDER.glob("*.py") if "__main__" in path.read_text())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_benchmark_runs_as_users_do(script: Path) -> None:
    """But the processes of `against`, which rbm_step starts."""
    assert script.stem == "against" or '__main__":\n    as_users_run()\n    main(' in script.read_text()


def test_every_table_of_the_page_names_its_blas_kernel() -> None:
    sections = (ROOT / "docs" / "benchmarks.md").read_text().split("\n## ")
    tables = [section for section in sections if "| ---" in section]
    assert tables
    for section in tables:
        assert "BLAS: " in section, section.splitlines()[0]


def test_a_commit_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    against, rbm_step = (importlib.import_module(name) for name in ("against", "rbm_step"))
    with pytest.raises(ValueError, match="no-such-commit"):
        against.results(rbm_step.Arguments(against="no-such-commit"), None)


def test_too_few_rows_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    rbm_step = importlib.import_module("rbm_step")
    with pytest.raises(ValueError, match="at least two batches"):
        rbm_step.Arguments(batches=(100,), rows=150)


def test_sampling(tmp_path: Path, here: Callable[..., str]) -> None:
    path = tmp_path / "sampling.json"
    here("sampling", cases=4, copies=3, rounds=3, repeats=2, threads=1, json=path)
    record = json.loads(path.read_text())
    rows = {row["draw"]: row for row in record["cases"]["4"]}
    bars = {name: row["bar"] for name, row in rows.items() if "bar" in row}
    assert bars == {
        "Bernoulli": 2,
        "Spin": 2,
        "Gaussian": 2,
        "NoisyReLU": 3,
        "Softmax, 10 categories": 6,
        "Exponential": 6,
        "TruncatedGaussian": 15,
        "Binomial, 10 copies": 15,
        "Poisson": 15,
        "SteppedSigmoid": 15,
    }
    rand = np.array(rows["torch.rand"]["values_us"])
    for row in rows.values():
        values = np.array(row["values_us"])
        assert len(values) == 3
        assert (values > 0).all()
        assert row["median_us"] == pytest.approx(np.median(values))
        assert row["ratio_to_rand"] == pytest.approx(np.median(values / rand))
        assert row.get("holds") in (None, row["ratio_to_rand"] <= row.get("bar", 0))
    copies = rows["3 logistic copies"]
    taken = np.array(copies["values_us"])
    for unit, ratio in copies["ratio_to_rectified"].items():
        assert ratio == pytest.approx(np.median(taken / rows[unit]["values_us"]))
    assert record["machine"]["torch_threads"] == 1
    shown = here("sampling", from_json=path)
    assert record["machine"]["blas"][0] in shown
    assert f"| Spin | {rows['Spin']['median_us']:,.0f} | {rows['Spin']['ratio_to_rand']:.2f} | 2" in shown


def test_the_sampling_benchmark_draws_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    sampling = importlib.import_module("sampling")
    drawn = sampling.draws(400, (3,), torch.Generator().manual_seed(0))
    for name, draw in drawn.items():
        assert draw().shape == (400, 500), name
        assert torch.isfinite(draw()).all(), name
    on = sampling.one_by_one(3, torch.ones(400, 500), torch.Generator().manual_seed(0))
    expected = scipy.special.expit(1 - np.array([0.5, 1.5, 2.5])).sum()
    assert on.mean().item() == pytest.approx(expected, abs=4 * 0.75 / np.sqrt(on.numel()))


def test_nats(tmp_path: Path, kernel: str, here: Callable[..., str]) -> None:
    path, picture = tmp_path / "nats.json", tmp_path / "nats.png"
    options = {"seconds": 2.2, "rows": 1000, "betas": 20, "chains": 5, "threads": 1, "data": "random", "json": path}
    run(FOLDER / "nats.py", "--no-peers", forced=True, **options)
    record = json.loads(path.read_text())
    assert [row["contender"] for row in record["contenders"]] == ["harmonium, float32", "harmonium, bfloat16"]
    curve = record["contenders"][0]["curve"]
    assert curve[-1]["mark"] == 2.2
    assert all(point["seconds"] >= point["mark"] for point in curve)
    assert curve[-1]["updates"] > 0
    # Bits that are on with probability 0.2, and no pattern to learn: no model is better than their entropy.
    entropy = -784 * (0.2 * np.log(0.2) + 0.8 * np.log(0.8))
    assert -entropy * 1.3 < curve[-1]["nats"] < -entropy + 2
    assert kernels_of(record["contenders"][0]["blas"]) == {kernel}
    text = here("nats", from_json=path, picture=picture)
    assert kernel in text
    assert f"| {curve[-1]['nats']:.2f} | {curve[-1]['seconds']:.1f} s | {curve[-1]['updates']:,} |" in text
    assert picture.stat().st_size > 10_000


def test_the_clock_keeps_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """An update that passes several marks counts for the last of them; the last mark ends learning."""
    monkeypatch.syspath_prepend(str(FOLDER))
    learners = importlib.import_module("learners")
    now = [100.0]
    monkeypatch.setattr(learners.time, "perf_counter", lambda: now[0])
    clock = learners.Clock([2.0, 5.0, 10.0, 20.0])
    clock.start()
    weight = torch.zeros(3, 2)
    parameters = (weight, np.zeros(3), np.zeros(2))
    for seconds in (1.0, 2.5, 3.0, 12.0, 19.0):
        now[0] = 100 + seconds
        weight += 1
        clock.tick(lambda: parameters)
    now[0] = 121.0
    with pytest.raises(learners.Over):
        clock.tick(lambda: parameters)
    assert [(kept.mark, kept.seconds, kept.updates) for kept in clock.kept] == [(2.0, 2.5, 2), (10.0, 12.0, 4), (20.0, 21.0, 6)]
    assert [kept.parameters[0][0, 0] for kept in clock.kept] == [2, 4, 5]  # copies: what comes later leaves them alone
    assert all(part.dtype == np.float32 for kept in clock.kept for part in kept.parameters)


def test_nats_are_those_of_the_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    """With weights of zero all is known: the nats are those of independent pixels. Diverged parameters have none."""
    monkeypatch.syspath_prepend(str(FOLDER))
    nats = importlib.import_module("nats")
    rng = np.random.default_rng(0)
    visible, hidden = rng.normal(size=784).astype(np.float32), rng.normal(size=500).astype(np.float32)
    images = torch.from_numpy(rng.random((50, 784)) < 0.3)
    p = scipy.special.expit(visible.astype(np.float64))
    expected = np.where(images.numpy(), np.log(p), np.log1p(-p)).sum(1).mean()
    args = nats.Arguments(betas=10, chains=3)
    weight = np.zeros((784, 500), np.float32)
    found = nats.judge((weight, visible, hidden), images, torch.from_numpy(p).float(), args)
    assert found["nats"] == pytest.approx(expected, abs=1e-2)
    assert found["ess"] == pytest.approx(3, abs=1e-3)
    weight[0, 0] = np.nan
    assert np.isnan(nats.judge((weight, visible, hidden), images, torch.from_numpy(p).float(), args)["nats"])


def test_sweeps(tmp_path: Path, kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sweeps.json"
    done = run(FOLDER / "sweeps.py", chains=100, rounds=2, repeats=2, threads=1, json=path)
    rows = json.loads(path.read_text())["chains"]["100"]
    ours = ["two matrix products", "harmonium: rbm.gibbs", "harmonium: AIS, a temperature"]
    assert [row["contender"] for row in rows[:4]] == [*ours, "scikit-learn"]
    for row in rows:
        values = np.array(row["values_ms"])
        assert len(values) == 2
        assert row["ratio_to_floor"] == pytest.approx(np.median(values / rows[0]["values_ms"]))
        assert row["chain_sweeps_a_second"] == pytest.approx(100 / (np.median(values) / 1e3))
        assert kernels_of(row["blas"]) == {kernel}
        assert row.get("holds") in (None, row["ratio_to_floor"] <= 1.8)
    assert "bar" in rows[2]
    assert f"| harmonium: rbm.gibbs | {rows[1]['median_ms']:.3f} | {rows[1]['chain_sweeps_a_second']:,.0f} |" in done.stdout
    assert kernel in done.stdout
    monkeypatch.syspath_prepend(str(FOLDER))
    assert importlib.import_module("sweeps").markdown(json.loads(path.read_text())) + "\n" == done.stdout


def test_schedules(tmp_path: Path, here: Callable[..., str]) -> None:
    path = tmp_path / "schedules.json"
    here("schedules", machines="digits-8", betas=50, chains=40, seeds=2, json=path)
    (machine,) = json.loads(path.read_text())["machines"]
    assert machine["log_z_error"] == 0
    assert len({(row["schedule"], row["base"]) for row in machine["rows"]}) == 9
    for row in machine["rows"]:
        assert row["ess"] == pytest.approx(np.sqrt(np.prod(row["ess_of_each"])))
        assert row["error"] == pytest.approx(np.sqrt(np.mean((np.array(row["log_z"]) - machine["log_z"]) ** 2)))
        assert 0 < row["spread"] < 10
    shown = here("schedules", from_json=path)
    assert f"| linear, uniform | {machine['rows'][4]['ess']:.1f} |" in shown


def test_the_schedules_that_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    schedules = importlib.import_module("schedules")
    assert schedules.proportions(14501)[[0, 500, 4500, 14500]].tolist() == pytest.approx([0, 0.5, 0.9, 1])
    for path in schedules.SCHEDULES.values():
        found = path(100)
        assert (found[0], len(found)) == (0, 100)
        assert found[-1].item() == pytest.approx(1, abs=1e-12)
        assert bool((found.diff() > 0).all())
    rates, args = torch.full((6,), 0.4), schedules.Arguments(reference=200, chains=200)
    rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(30), seed=1)
    exact = hm.likelihood.exact_log_z(rbm)
    log_z, error = schedules.truth(rbm, rates, args)
    assert 0 < error < 0.1
    assert abs(log_z - exact) < 4 * error
    base = schedules.annealed(rbm, schedules.linear(50), rates, 100, 0)
    assert schedules.centred(base).exp().mean().log().item() == pytest.approx(base.log_z)


def test_up_down_step(tmp_path: Path, here: Callable[..., str]) -> None:
    path = tmp_path / "up_down.json"
    here("up_down_step", batch=4, rounds=2, rows=12, repeats=2, threads=1, json=path)
    record = json.loads(path.read_text())
    rows = record["lines"]
    assert [row["contender"] for row in rows] == [
        "matrix products",
        "harmonium: gradient",
        "harmonium: an update",
        "harmonium: a step of hm.wake_sleep",
    ]
    for row in rows:
        values = np.array(row["values_ms"])
        assert len(values) == 2
        assert row["ratio_to_floor"] == pytest.approx(np.median(values / rows[0]["values_ms"]))
        assert row.get("holds") in (None, row["ratio_to_floor"] <= 1.5)
    assert "bar" in rows[2]


def test_the_up_down_floor_has_the_products_of_an_update(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same shapes, as often, as an update asks for."""
    monkeypatch.syspath_prepend(str(FOLDER))
    benchmark = importlib.import_module("up_down_step")
    dbn, batch, steps = benchmark.net(), 4, 3
    state = hm.TrainingState(dbn, benchmark.OPTIMIZER(dbn.parameters()), torch.Generator().manual_seed(0), {})
    v, y = torch.rand(batch, 784), torch.zeros(batch, dtype=torch.long)
    state.slots["rule"], rule = {}, hm.ContrastiveDivergence(steps)
    signal = hm.learning.UpDown(state, lambda epoch: rule, "mean")

    def update() -> None:
        signal.gradient(v, y)

    found = []
    for work in (update, benchmark.floor(batch, steps)):
        with torch.profiler.profile(record_shapes=True) as profile:
            work()
        products = {"aten::mm": slice(2), "aten::addmm_": slice(1, 3)}
        shapes = [event.input_shapes[products[event.name]] for event in profile.events() if event.name in products]
        found.append(sorted(pair for pair in shapes if pair[0][0] > 1))  # weighted sums of rows are none
    label_row = [[batch, 510], [510, 2000]]
    assert found[0].count(label_row) == 1 + steps
    assert found[0] == found[1]
    assert len(found[0]) == 15 + 2 * steps


BARE = """
import runpy, sys

sys.modules |= dict.fromkeys(("tyro", "rich", "pooch", "sklearn", "jinja2", "threadpoolctl"))  # None: as if they were not installed
sys.path.insert(0, sys.argv[1])
sys.argv = ["gpu.py", *sys.argv[2:]]
runpy.run_path(sys.path[0] + "/gpu.py", run_name="__main__")
"""


def test_gpu_runs_with_few_packages(tmp_path: Path) -> None:
    """Every part but the recipes, which say what they lack."""
    words = ["--device", "cpu", "--smoke", "--out", str(tmp_path), "--data", str(tmp_path), "--queue", "digits:3"]
    clean = {name: value for name, value in os.environ.items() if name not in FORCED}
    command = [sys.executable, "-c", BARE, str(FOLDER), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=clean)
    assert done.returncode == 0, done.stderr + done.stdout
    record = json.loads((tmp_path / "gpu.json").read_text())
    assert record["faults"] == {}
    assert all(check["passed"] in (True, None) for check in record["checks"])
    assert {check["check"] for check in record["checks"] if check["passed"]} == {
        "means, variances, log-partitions",
        "gradient of an update",
        "a CD-1 step",
        "means of draws",
        "resumes to the same bits",
    }
    lines = record["lines"]
    assert [line["line"] for line in lines[:3]] == ["five matrix products", f"as many empty launches ({lines[1]['launches']})", "an update"]
    assert len(lines) == 3 * 4 + 1 + 2 * 3 + 2
    for floor, empty, update in (lines[place : place + 3] for place in (0, 4, 8)):
        median = np.median(update["values_ms"])
        assert update["connections_per_second"] == pytest.approx(784 * 500 * 8 / (median / 1e3))
        assert update["times_products"] == pytest.approx(median / np.median(floor["values_ms"]))
        assert update["times_launches"] == pytest.approx(median / np.median(empty["values_ms"]))
        assert empty["launches"] > 5
    assert 1e-4 < lines[10]["gradient_error"] < 0.02  # of eight binary digits
    assert lines[2]["gradient_error"] < 1e-5
    assert record["data"] == "random uint8"
    assert "they need tyro, rich, jinja2, which" in record["note"]
    assert record["note"] in done.stdout
    assert f"| an update | bfloat16 | 8 | {lines[10]['median_ms']:.4f} |" in done.stdout


def test_the_checks_of_a_gpu_find_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    gpu_checks = importlib.import_module("gpu_checks")
    right = hm.Bernoulli.mean
    cpu, calls = torch.device("cpu"), []

    def wrong(unit: hm.Bernoulli, *given: object) -> torch.Tensor:
        calls.append(unit)
        return right(unit, *given) + (1e-6 if len(calls) == 1 else 0)

    monkeypatch.setattr(hm.Bernoulli, "mean", wrong)
    assert not gpu_checks.moments("Bernoulli", cpu)["passed"]
    assert gpu_checks.moments("Bernoulli", cpu)["passed"]
    assert gpu_checks.difference(torch.tensor([1.0, np.nan]), torch.ones(2)) == np.inf
    failed = gpu_checks.guarded(lambda: 1 / 0)
    assert failed["passed"] is False
    assert "ZeroDivisionError" in failed["error"]


RECORDS = """
import sys
from pathlib import Path
from harmonium.recipes import find
from harmonium.runs.options import settings_of, OF_THE_RUN
from harmonium.runs.record import append
recipe, seed = find("digits"), int(sys.argv[1])
settings = {name: value for name, value in settings_of(recipe()).items() if name not in OF_THE_RUN}
append({"recipe": "digits", "paper": recipe.paper, "setting": "full", "seed": seed, "settings": settings, "machine": "one", "seconds": 1.0,
        "commit": "c", "defaults_changed": [], "command": "harmonium run digits",
        "metrics": {"test_error_percent": {"published": None, "value": 3.0, "unit": "%"}}})
"""


def test_variances(tmp_path: Path, here: Callable[..., str]) -> None:
    path = tmp_path / "variances.json"
    for name in ("6 exponential columns", "stack, wine"):
        assert name in here("variances", updates=2, seeds=1, samples=2, only=name, json=path)
        (line,) = json.loads(path.read_text())["lines"]
        assert np.isfinite([line["fixed"], line["learnt"]]).all()


def test_the_queue_of_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It records, fails, cuts short and stops; what it recorded is taken in elsewhere."""
    from harmonium.recipes import RECIPES
    from harmonium.runs.record import merge

    monkeypatch.syspath_prepend(str(FOLDER))
    queue = importlib.import_module("gpu_queue")
    typed = queue.command("digits", 2, "cuda")[1:]
    assert typed == ["-m", "harmonium.cli", "run", "digits", "--seed", "2", "--device", "cuda", "--record", "--out", "runs/digits-2"]
    assert [queue.parsed(word) for word in ("digits", "mnist-rbm:3")] == [("digits", 0), ("mnist-rbm", 3)]
    with pytest.raises(ValueError, match="NAME:SEED"):
        queue.parsed("digits:one")
    programs = {"digits": RECORDS, "fails": "raise SystemExit(1)", "slow": "import time; time.sleep(600)"}
    monkeypatch.setattr(queue, "command", lambda name, seed, device: [sys.executable, "-c", programs[name], str(seed)])
    found = queue.work_through([("digits", 4), ("digits", 4), ("fails", 0)], tmp_path, "cpu", 5.0)
    assert [each["outcome"] for each in found] == ["done", "recorded before", "failed"]
    found = queue.work_through([("slow", 0), ("digits", 5)], tmp_path, "cpu", 0.02)
    assert [each["outcome"] for each in found] == ["cut short", "no time left"]
    (tmp_path / "here").mkdir()
    assert merge(tmp_path / "results", RECIPES, tmp_path / "here") == 1


def test_processes(tmp_path: Path) -> None:
    path = tmp_path / "processes.json"
    run(FOLDER / "processes.py", "--units", 8, 4, "--batches", 20, rounds=1, repeats=2, json=path)
    rows = json.loads(path.read_text())["lines"]
    assert [row["line"] for row in rows] == ["one process", "2 processes", "2 processes, apart"]
    for row in rows:
        assert row["times_one_process"] == pytest.approx(rows[0]["median_ms"] / row["median_ms"])


def test_large(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    run(FOLDER / "large.py", "--smoke", json=path)
    lines = json.loads(path.read_text())["lines"]
    assert [(each["kind"], each["rows"]) for each in lines] == [(kind, rows) for kind in ("memory map", "sparse") for rows in (200, 2000)]
    for each in lines:
        assert each["first_s"] > 0
        assert each["times_fewest"] > 0
        assert each["holds"] == (each["times_fewest"] <= 1.5)


def test_mixed_tables(tmp_path: Path, here: Callable[..., str]) -> None:
    path = tmp_path / "tables.json"
    shown = here("mixed_tables", tables="wine", first=1, seeds=1, updates=20, json=path)
    lines = json.loads(path.read_text())["lines"]
    assert set(lines) == {"wine", "benign tumours", "two cultivars", "zeros"}
    (wine,) = lines["wine"]
    for method in ("harmonium", "nearest neighbours", "iterative", "iterative, codes"):
        assert 0.3 < wine[method]["real"] < 1.2
        assert 0 <= wine[method]["categorical"] <= 0.8
    assert f"| wine, real | {wine['harmonium']['real']:.3f} |" in shown
    assert all(0.5 < lines[name][0]["isolation forest"] <= 1 for name in ("benign tumours", "two cultivars", "zeros"))


def test_densities(monkeypatch: pytest.MonkeyPatch) -> None:
    """The nats are those of all states listed, and the table counts who is first."""
    monkeypatch.syspath_prepend(str(FOLDER))
    densities = importlib.import_module("densities")
    draw = np.random.default_rng(0)
    weight, visible, hidden = draw.normal(size=(5, 3)), draw.normal(size=5), draw.normal(size=3)
    cases = draw.integers(2, size=(20, 5))

    def free(v: np.ndarray) -> np.ndarray:
        return v @ visible + np.logaddexp(0, v @ weight + hidden).sum(-1)

    states = np.array(list(np.ndindex(*[2] * 5)))
    expected = free(cases).mean() - scipy.special.logsumexp(free(states))
    assert densities.nats((weight, visible, hidden), torch.from_numpy(cases)) == pytest.approx(expected, rel=1e-9)
    assert np.isnan(densities.nats((weight * np.nan, visible, hidden), torch.from_numpy(cases)))
    updates, (learnt, *_) = densities.harmonium(torch.from_numpy(cases), 0.0, 3, 0)
    assert updates == densities.PILOT
    assert learnt.shape == (5, 3)
    on = {**importlib.import_module("machine").machine(), "load_average_before": 0.0}
    row = {"harmonium": {"nats": -1.0, "blas": ["openblas 1"]}, "rbms": {"nats": float("nan")}, "independent": {"nats": -2.0}}
    record = {"sets": {"a": row, "b": row}, "settings": {"seconds": 1.0, "threads": 1}, "peers": {}, "machine": on}
    page = densities.markdown({**record, "commit": "c", "command": "python"})
    assert "| a | **-1.000** | nan | -2.000 |" in page
    assert "| first on | 2 | 0 | 0 |" in page
    assert "BLAS: openblas 1." in page


@pytest.mark.parametrize("net", ["dense", "convolutional"])
def test_fine_tuning_step(net: str, tmp_path: Path, here: Callable[..., str]) -> None:
    path = tmp_path / "fine_tuning.json"
    here("fine_tuning_step", net=net, batch=4, rounds=2, rows=12, repeats=2, threads=1, json=path)
    rows = json.loads(path.read_text())["lines"]
    lines = ["matrix products", "harmonium: an update", "harmonium: a step of hm.fine_tune"]
    assert [row["contender"] for row in rows] == [f"{line}, {precision}" for precision in ("float32", "bfloat16") for line in lines]
    for place, row in enumerate(rows):
        floor = rows[place // 3 * 3]
        assert row["ratio_to_floor"] == pytest.approx(np.median(np.array(row["values_ms"]) / floor["values_ms"]))
        assert row.get("holds") in (None, row["ratio_to_floor"] <= 1.25)


def test_page(tmp_path: Path, browser: object) -> None:
    path = tmp_path / "page.json"
    done = run(FOLDER / "page.py", "--smoke", "--parts", "page", "--sizes", 64, 20, 16, 24, json=path)
    page = json.loads(path.read_text())["page"]
    for name, values in page["values"].items():
        assert page[name] == np.median(values) > 0
    assert page["bytes"] > 10_000
    assert f"Size: {page['bytes']:,} bytes." in done.stdout


def test_learning_that_is_watched(browser: object, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("uvicorn", reason="needs the extra web: pip install 'harmonium[web]'")
    monkeypatch.syspath_prepend(str(FOLDER))
    page = importlib.import_module("page")
    assert page.seconds_of_learning(["digits", "--smoke"], browser)["learning"] > 0
    if sys.platform == "linux":
        with subprocess.Popen([sys.executable, "-c", "sum(range(30_000_000))"], stderr=subprocess.PIPE) as process:
            account = page.ended(process)
        assert account["on_a_core"] > account["waiting"] >= 0
    asked = []

    def seconds(words: list[str], browser: object) -> dict[str, float]:
        asked.append(browser is not None)
        account = {"waiting": 1.0} if len(asked) > 1 else {}  # one run was too short to be seen
        return {"learning": {True: 11.0, False: 10.0}[asked[-1]] * len(asked), **account}  # the machine grows slower

    monkeypatch.setattr(page, "seconds_of_learning", seconds)
    monkeypatch.setattr(page, "chromium", lambda: contextlib.nullcontext(browser))
    found = page.of_watching([], 3, Console())
    assert asked == [False, True, True, False, False, True]
    ratios = [11 * 2 / 10, 11 * 3 / (10 * 4), 11 * 6 / (10 * 5)]
    assert found["slowdowns_percent"] == pytest.approx([100 * (ratio - 1) for ratio in ratios])
    assert found["slowdown_percent"] == pytest.approx(100 * (np.median(ratios) - 1))
    assert "watched_waiting" not in found


def test_the_pages_dreams_are_those_that_it_shows(tmp_path: Path, visit: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    dreams = importlib.import_module("dreams")
    dbn, labels = labelled_net(), torch.tensor([1] * 12 + [4])
    page = visit(hm.report.page(dbn, tmp_path / "page.html"))
    found = dreams.page_dreams(page, labels, (2, 5), Console())
    assert found.shape == (2, 13, 64)
    for seed in (0, 11, 12):
        ask(page, "begin", mode="dream", seed=seed, pixels=[], missing=[])
        for times, pictures in zip((2, 3), found, strict=True):
            frame = ask(page, "step", held=int(labels[seed]), temperature=1, times=times)
            assert torch.equal(torch.tensor(frame["means"][0]), pictures[seed])
    by_python = dreams.python_dreams(dbn, labels, (5,), 3)[0]
    assert torch.equal(by_python, dbn.generate(13, steps=5, generator=torch.Generator().manual_seed(3), labels=labels))


def test_the_share_of_dreams_that_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    labels, judge = torch.tensor([0, 0, 1, 1]), torch.nn.Linear(2, 2)
    torch.nn.init.eye_(judge.weight)
    torch.nn.init.zeros_(judge.bias)
    found = importlib.import_module("dreams").recognised(judge, torch.eye(2)[[0, 0, 1, 0]], labels)
    assert found == {"percent": 75, "standard_error": pytest.approx(100 * scipy.stats.binom(4, 0.75).std() / 4), "of_each_label": [100, 50]}


def test_dreams(tmp_path: Path, images: Path, browser: object) -> None:
    options = MnistJoint(smoke=True, threads=1, layers=Layers(units=(20, 20, 40), epochs=30), data_dir=images, out=tmp_path / "run")
    learnt = Run.begin("mnist-joint", options)
    options.run(learnt)
    learnt.release()
    path = tmp_path / "dreams.json"
    done = run(FOLDER / "dreams.py", "--sweeps", 1, 3, run=tmp_path / "run", dreams=20, digits=30, json=path)
    record = json.loads(path.read_text())
    assert [row["sweeps"] for row in record["dreams"]] == [1, 3]
    assert record["agreed_percent"] == 100
    assert f"| 3 | {record['dreams'][1]['page']['percent']:.1f} ± " in done.stdout
