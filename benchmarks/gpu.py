"""What a GPU computes, and how fast: one command for any machine with CUDA, PyTorch, NumPy and safetensors.

    python benchmarks/gpu.py --out gpu                                  # checks and times, in less than eight minutes
    python benchmarks/gpu.py --out gpu --queue mnist-rbm:1 mnist-dbn --minutes 60
    python benchmarks/gpu.py --device cpu --smoke --out smoke           # the same in seconds; its figures mean nothing
    harmonium record merge gpu/results                                  # elsewhere: takes in what the queue recorded

It prints a table as Markdown and writes the same to OUT/gpu.json, after each part, so that a later part that fails loses nothing. It ends
with status 1 if a check fails.

The checks, for several kinds of units, against the CPU in float64: means, variances and log-partitions; the gradient of an update, given
the same particles; a step of CD-1 and fused SGD, given the particles that the device drew; means of many draws. On a GPU, that the host
waits for nothing in an update, and that a recorded update learns the same bits. That learning resumes to the same bits.

The times are medians over rounds of the milliseconds of one update, begun and ended by waiting for the device. The lines:
- five matrix products: the arithmetic floor of a CD-1 update of 784 x 500 units, by `torch.mm` into buffers that are there already.
- as many empty launches: the launch floor: an empty kernel, launched as often as the update launches one. The profiler counts them; where
  it sees none, they are the operations that PyTorch carries out. On the CPU a fill of one number stands for the kernel.
- an update: the gradient by CD-1 with mean reconstructions, and a step of fused SGD with momentum 0.9 and a weight cost of 0.0002, on one
  batch of floats. The connections per second are weights times cases in a second of updates.
- an update, recorded: the same as a CUDA graph, replayed (on the CPU, as it is). So with `hm.fit(..., capture=True)`.
- a step of hm.fit: an epoch divided by its updates, with the gather of shuffled uint8 rows, checks and figures.
- wake-sleep: an update of 784-500-(500 + 10)-2000 by CD-3. fine-tuning: an update of 784-500-500-2000-10 by backpropagation and SGD.
- AIS: annealed importance sampling by 100 chains in a machine of 784 x 500 units; the time is that of one temperature.
The precisions: float32 is the library's default, with TF32 off or on by PyTorch's own switch, and bfloat16 is the library's
`precision="bfloat16"`. The error is that of the data's and the particles' gradient on one batch, in norm, beside float64 on the CPU.

MNIST is read from `--data`, by default HARMONIUM_DATA, and random uint8 stand in where it is not there. The queue runs recipes one after
the other, each in a process of its own, until `--minutes` are used up; a run that is cut short goes on when it is asked for again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

import gpu_queue
import harmonium as hm
from gpu_checks import BATCHES, Replayed, checks, gradients, guarded, step_of
from harmonium.couplings.products import Precision, Reduced, reduced_type
from harmonium.data.idx import read_idx
from harmonium.learning import UpDown, write_gradient
from harmonium.learning.backpropagation import Backpropagation, groups_of
from harmonium.learning.loop.graph import cuda_graph
from harmonium.learning.wake_sleep import groups
from machine import as_users_run, machine, markdown_table, write
from ours import Clock

PIXELS, HIDDEN, TOP, CLASSES = 784, 500, 2000, 10
PRECISIONS: dict[str, tuple[Precision, str]] = {
    "float32": ("float32", "highest"),
    "float32, TF32": ("float32", "high"),
    "bfloat16": ("bfloat16", "highest"),
}
"""The library's word, and PyTorch's for products in float32."""
LIMIT = 420.0
"""Seconds after which no further part is begun, so that checks and times take less than eight minutes."""
RULE = hm.ContrastiveDivergence(reconstruction="mean")
Line = dict[str, Any]


class Arguments(argparse.Namespace):
    """What is measured, and how often."""

    device: str
    smoke: bool
    out: Path
    data: Path | None
    queue: list[tuple[str, int]]
    minutes: float

    @property
    def batches(self) -> tuple[int, ...]:
        return (8,) if self.smoke else (100, 500, 4096)

    @property
    def rounds(self) -> int:
        return 2 if self.smoke else 5

    @property
    def seconds(self) -> float:
        """Of one measurement."""
        return 0.005 if self.smoke else 0.2

    @property
    def rows(self) -> int:
        return 32 if self.smoke else 60_000

    @property
    def chains(self) -> int:
        return 5 if self.smoke else 100

    @property
    def betas(self) -> int:
        return 10 if self.smoke else 5000

    @property
    def draws(self) -> int:
        return 1000 if self.smoke else 20_000


def arguments(words: Sequence[str] | None = None) -> Arguments:
    """Those of the command line. Exits with a sentence where they cannot be carried out."""
    parser = argparse.ArgumentParser(description="Checks and times a GPU, and runs recipes on it.")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--smoke", action="store_true", help="every part within seconds, as a test; the figures mean nothing")
    parser.add_argument("--out", type=Path, default=Path("gpu"), help="the folder for gpu.json, records and runs")
    parser.add_argument("--data", type=Path, help="the folder that holds MNIST, by default HARMONIUM_DATA")
    parser.add_argument("--queue", type=gpu_queue.parsed, nargs="+", default=[], metavar="NAME[:SEED]", help="recipes to run and record")
    parser.add_argument("--minutes", type=float, default=30.0, help="for the queue")
    found = parser.parse_args(words, namespace=Arguments())
    if found.device == "cuda" and not torch.cuda.is_available():
        parser.error("PyTorch sees no GPU here: --device cpu runs on the CPU")
    return found


def load(args: Arguments) -> tuple[Tensor, str]:
    """Images (rows, 784) uint8, and what they are."""
    folder = args.data or Path(os.environ.get("HARMONIUM_DATA") or "/nowhere")
    name = "train-images-idx3-ubyte"
    for path in (folder / part / f"{name}{end}" for part in ("mnist", ".") for end in (".gz", "")):
        if path.is_file():
            return torch.from_numpy(read_idx(path, dimensions=3).reshape(-1, PIXELS))[: args.rows], "MNIST"
    return torch.randint(256, (args.rows, PIXELS), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)), "random uint8"


@contextmanager
def products_of(precision: str) -> Iterator[torch.dtype | None]:
    """PyTorch's switch for a precision of the table. Yields the type that the library rounds factors to."""
    word, switch = PRECISIONS[precision]
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(switch)
    try:
        yield reduced_type(word, torch.empty(0))
    finally:
        torch.set_float32_matmul_precision(before)


def wait(device: torch.device) -> None:
    """Until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measured(work: Callable[[], None], args: Arguments) -> list[float]:
    """Milliseconds of `work` in each round, each the mean of as many repeats as fill the time of a measurement."""
    device = torch.device(args.device)

    def seconds(repeats: int) -> float:
        wait(device)
        began = time.perf_counter()
        for _ in range(repeats):
            work()
        wait(device)
        return time.perf_counter() - began

    few = 1 if args.smoke else 5
    seconds(few)
    repeats = max(1, round(args.seconds * few / seconds(few)))
    return [1e3 * seconds(repeats) / repeats for _ in range(args.rounds)]


def line(name: str, precision: str, batch: int, values: list[float], **more: Any) -> Line:
    """A line of the table."""
    return {"line": name, "precision": precision, "batch": batch, "median_ms": float(np.median(values)), "values_ms": values, **more}


class Counted(TorchDispatchMode):
    """The operations that change or make numbers, not views of them."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += not func.is_view
        return func(*args, **(kwargs or {}))


def launches(work: Callable[[], None], device: torch.device) -> tuple[int, str]:
    """How many kernels `work` launches, and who counted them."""
    work()
    if device.type == "cuda":
        wait(device)
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]) as profile:
            work()
            wait(device)
        count = sum("LaunchKernel" in event.name or "MemsetAsync" in event.name for event in profile.events())
        if count:
            return count, "profiler"
    with Counted() as counted:
        work()
    return counted.count, "operations"


def empty_launches(count: int, device: torch.device) -> Callable[[], None]:
    """An empty kernel, launched so often."""
    number = torch.zeros(1, device=device)
    launch = partial(torch.cuda._sleep, 0) if device.type == "cuda" else number.zero_

    def work() -> None:
        for _ in range(count):
            launch()

    return work


def five_products(v: Tensor, dtype: torch.dtype) -> Callable[[], None]:
    """Those of a CD-1 update, into buffers that are there already."""
    v_0 = v.to(dtype)
    weight = torch.randn(PIXELS, HIDDEN, device=v.device).mul_(0.01).to(dtype)
    h_0, h_1 = (v_0.new_zeros(len(v), HIDDEN) for _ in range(2))
    v_1, data, model = torch.zeros_like(v_0), torch.empty_like(weight), torch.empty_like(weight)

    def products() -> None:
        torch.mm(v_0, weight, out=h_0)
        torch.mm(h_0, weight.t(), out=v_1)
        torch.mm(v_1, weight, out=h_1)
        torch.mm(v_0.t(), h_0, out=data)
        torch.mm(v_1.t(), h_1, out=model)

    return products


def rbm_on(device: torch.device) -> hm.RBM:
    """784 x 500 units: grey pixels as probabilities, and binary hidden units."""
    return hm.RBM(hm.Bernoulli(PIXELS, values="probabilities"), hm.Bernoulli(HIDDEN)).to(device)


def gradient_error(v: Tensor, dtype: torch.dtype | None) -> float:
    """Of the gradient that `dtype` gives on the device, in norm, given the same particles; float64 on the CPU is the truth."""
    found = []
    for place, kind in ((v.device, torch.float32), (torch.device("cpu"), torch.float64)):
        rbm, rows = rbm_on(place).to(kind), v.to(place, kind)
        rounding = dtype is not None and kind == torch.float32
        with torch.no_grad():
            rbm.coupling.weight.copy_(0.1 * torch.randn(PIXELS, HIDDEN, generator=torch.Generator().manual_seed(7)))
            with Reduced(dtype) if rounding else torch.no_grad():
                write_gradient(rbm, rbm.infer(rows), Replayed(rows.flip(0, 1)), {}, generator=torch.Generator(place))
        found.append(torch.cat([gradient.flatten() for gradient in gradients(rbm)]).cpu().double())
    return ((found[0] - found[1]).norm() / found[1].norm()).item()


def rbm_lines(images: Tensor, batch: int, args: Arguments) -> list[Line]:
    """An update of 784 x 500 units beside its floors, in each precision; and a step of `hm.fit`."""
    device, found = torch.device(args.device), []
    v = images[:batch].to(device).float().div_(255)
    for precision in PRECISIONS:
        with products_of(precision) as dtype:
            products = measured(five_products(v, dtype or torch.float32), args)
            update = partial(step_of(rbm_on(device), RULE, device, dtype), v)
            count, counter = launches(update, device)
            empty = measured(empty_launches(count, device), args)
            times = measured(update, args)
            graph = measured(recorded(step_of(rbm_on(device), RULE, device, dtype), v), args)
            error = gradient_error(v, dtype)
        floors = {
            "times_products": float(np.median(times) / np.median(products)),
            "times_launches": float(np.median(times) / np.median(empty)),
        }
        speed = PIXELS * HIDDEN * len(v) / (np.median(times) / 1e3)
        found.append(line("five matrix products", precision, batch, products))
        found.append(line(f"as many empty launches ({count})", precision, batch, empty, launches=count, counted_by=counter))
        found.append(line("an update", precision, batch, times, connections_per_second=float(speed), gradient_error=error, **floors))
        found.append(line("an update, recorded", precision, batch, graph, times_products=float(np.median(graph) / np.median(products))))
    found += [fit_line(images, batch, args, capture) for capture in ((False, True) if device.type == "cuda" else (False,))]
    return found


def recorded(step: hm.learning.Step, v: Tensor) -> Callable[[], None]:
    """An update as a CUDA graph. On the CPU, the update as it is."""
    step(v)
    return cuda_graph(partial(step.compute, v), step.state.generator) if v.device.type == "cuda" else partial(step.compute, v)


def fit_line(images: Tensor, batch: int, args: Arguments, capture: bool) -> Line:
    """An epoch of `hm.fit` divided by its updates, in each round after one that warms up."""
    device, times = torch.device(args.device), []
    optimizer, rows = partial(hm.MomentumSGD, lr=0.05, momentum=0.9), images.to(device)
    for turn in range(args.rounds + 1):
        clock, few = Clock(), rows[: 2 * batch] if turn == 0 else rows
        settings = {"epochs": 1, "batch_size": batch, "optimizer": optimizer, "weight_cost": 2e-4, "progress": False}
        state = hm.fit(rbm_on(device), few, negative=RULE, callbacks=[clock], capture=capture, **settings)
        times += [1e3 * clock.seconds / state.step] if turn else []
    speed = PIXELS * HIDDEN * len(images) / state.step / (np.median(times) / 1e3)
    return line("a step of hm.fit" + ", recorded" * capture, "float32", batch, times, connections_per_second=float(speed))


def deep_net(device: torch.device, labels: bool) -> hm.DBN:
    """784-500-500-2000, with label units beside the upper 500 where asked for."""
    upper: hm.Unit = hm.Bernoulli(HIDDEN, values="probabilities")
    upper = hm.Groups(upper, hm.Softmax(1, categories=CLASSES)) if labels else upper
    below = hm.RBM(hm.Bernoulli(PIXELS, values="probabilities"), hm.Bernoulli(HIDDEN))
    middle = hm.RBM(hm.Bernoulli(HIDDEN, values="probabilities"), hm.Bernoulli(HIDDEN))
    return hm.DBN([below, middle, hm.RBM(upper, hm.Bernoulli(TOP))], untied=labels, labels=labels).to(device)


def wake_sleep_update(v: Tensor, y: Tensor, dtype: torch.dtype | None) -> Callable[[], None]:
    """One update of contrastive wake-sleep."""
    net, rule = deep_net(v.device, True), hm.ContrastiveDivergence(3)
    optimizer = hm.MomentumSGD(groups(net, 2e-4), lr=1e-3, momentum=0.9)
    state = hm.TrainingState(net, optimizer, torch.Generator(v.device).manual_seed(0), {}, slots={"rule": {}})
    return partial(hm.learning.Step(state, UpDown(state, lambda epoch: rule, "mean"), dtype=dtype), v, y)


def fine_tuning_update(v: Tensor, y: Tensor, dtype: torch.dtype | None) -> Callable[[], None]:
    """One update of a classifier by backpropagation."""
    net = hm.nets.classifier(deep_net(v.device, False), classes=CLASSES)
    optimizer = torch.optim.SGD(groups_of(net, net[-1], 0.0), lr=0.1)
    state = hm.TrainingState(net, optimizer, torch.Generator(v.device).manual_seed(0), {})
    return partial(hm.learning.Step(state, Backpropagation(state, F.cross_entropy, net[-1], 0, BATCHES, dtype)), v, y)


def deep_lines(images: Tensor, batch: int, args: Arguments) -> list[Line]:
    """Wake-sleep and fine-tuning, in each precision."""
    device, found = torch.device(args.device), []
    v = images[:batch].to(device).float().div_(255)
    y = torch.randint(CLASSES, (len(v),), generator=torch.Generator().manual_seed(0)).to(device)
    for name, make in {"a wake-sleep update": wake_sleep_update, "a fine-tuning update": fine_tuning_update}.items():
        for precision in PRECISIONS:
            with products_of(precision) as dtype:
                found.append(line(name, precision, batch, measured(make(v, y, dtype), args)))
    return found


def ais_lines(args: Arguments) -> list[Line]:
    """A temperature of annealed importance sampling, with TF32 off and on."""
    device, found = torch.device(args.device), []
    rbm, rates = rbm_on(device), torch.full((PIXELS,), 0.2, device=device)
    for precision in ("float32", "float32, TF32"):
        with products_of(precision):
            times = []
            for turn in range(2 if args.smoke else 3):
                betas = args.betas if turn else 10
                wait(device)
                began = time.perf_counter()
                result = hm.likelihood.ais(rbm, chains=args.chains, betas=betas, base_rates=rates, seed=0)
                wait(device)
                times += [1e3 * (time.perf_counter() - began) / betas] if turn else []
        more = {"betas": args.betas, "log_z": result.log_z, "standard_error": result.standard_error}
        found.append(line("a temperature of AIS", precision, args.chains, times, **more))
    return found


def figure(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def table(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    on = record["machine"]
    text = [f"{record['device_name']}; torch {on['torch']}, CUDA {record['cuda']}, Python {on['python']}; harmonium {on['harmonium']}"]
    text[0] += f", commit {record['commit']}; {record.get('data', 'no data')}; on {record['when']}."
    if record["settings"]["smoke"]:
        text.append("A smoke test: no figure of it means anything.")
    names = list(dict.fromkeys(check["check"] for check in record.get("checks", [])))
    rows = []
    for name in names:
        these = [check for check in record["checks"] if check["check"] == name]
        failed = [f"{check['of']}: {check.get('error', 'too far')}" for check in these if check["passed"] is False]
        worst = max((check.get("difference", check.get("standard_errors", 0.0)) for check in these), default=0.0)
        verdict = "not on this device" if all(check["passed"] is None for check in these) else "passed"
        rows.append([name, "failed: " + "; ".join(failed) if failed else verdict, str(len(these)), f"{worst:.2g}" if worst else ""])
    text += ["", *markdown_table(["check", "outcome", "kinds", "largest difference"], rows, words=2)]
    headings = ["", "precision", "batch", "ms", "times products", "times launches", "connections a second", "error of the gradient"]
    columns = {"times_products": ".2f", "times_launches": ".2f", "connections_per_second": ".3g", "gradient_error": ".1e"}
    rows = []
    for each in record.get("lines", []):
        figures = [figure(each.get(name), form) for name, form in columns.items()]
        rows.append([each["line"], each["precision"], f"{each['batch']:,}", f"{each['median_ms']:.4f}", *figures])
    text += ["", *markdown_table(headings, rows, words=2)]
    text += [f"\n{part} failed: {fault['error']}" for part, fault in record.get("faults", {}).items()]
    text += [f"\nLeft out for want of time: {name}." for name in record.get("left_out", [])]
    if "queue" in record:
        entries = [[each["recipe"], str(each["seed"]), each["outcome"], figure(each.get("seconds"), ".0f")] for each in record["queue"]]
        text += ["", *markdown_table(["recipe", "seed", "outcome", "seconds"], entries, words=1)]
    return "\n".join([*text, *([record["note"]] if "note" in record else [])])


def commit() -> str:
    """The commit of this file's checkout; HARMONIUM_COMMIT says it where a copy does not know."""
    words = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return os.environ.get("HARMONIUM_COMMIT") or subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def parts(args: Arguments, images: Tensor) -> Iterator[tuple[str, Callable[[], list[Line]]]]:
    """Each part of the times, by name."""
    for batch in args.batches:
        yield f"784 x 500, batches of {batch}", partial(rbm_lines, images, batch, args)
        yield f"deep nets, batches of {batch}", partial(deep_lines, images, batch, args)
    yield "AIS", partial(ais_lines, args)


def main(args: Arguments) -> None:
    """Everything, and status 1 where something failed."""
    if args.smoke:
        torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    began, device, path = time.monotonic(), torch.device(args.device), args.out / "gpu.json"
    record: dict[str, Any] = {
        "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        "cuda": torch.version.cuda if device.type == "cuda" else "none",
        "when": time.strftime("%Y-%m-%d"),
        "commit": commit(),
        "machine": machine(),
        "settings": {"device": args.device, "smoke": args.smoke, "rounds": args.rounds, "minutes": args.minutes},
    }

    def keep(said: str) -> None:
        record["seconds"] = round(time.monotonic() - began, 1)
        write(path, record)
        print(f"{record['seconds']:.0f} s: {said}", file=sys.stderr, flush=True)

    record["checks"] = checks(device, args.draws)
    keep("checks")
    images, record["data"] = load(args)
    record["lines"], record["faults"] = [], {}
    for name, part in parts(args, images):
        if time.monotonic() - began > LIMIT:
            record["left_out"] = [*record.get("left_out", []), name]
            continue
        found = guarded(lambda part=part: {"passed": True, "lines": part()})
        record["lines"] += found.get("lines", [])
        if not found["passed"]:
            record["faults"][name] = found
        keep(name)
    if args.queue:
        if note := gpu_queue.lacking():
            record["note"] = note
        else:
            record["queue"] = gpu_queue.work_through(args.queue, args.out.absolute(), args.device, args.minutes)
        keep("recipes")
    print(table(record))
    if record["faults"] or any(check["passed"] is False for check in record["checks"]):
        sys.exit(1)


if __name__ == "__main__":
    as_users_run()
    main(arguments())
