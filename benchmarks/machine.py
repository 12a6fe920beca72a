"""What a benchmark says of the machine it ran on, and how it keeps its figures."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

import harmonium as hm

if TYPE_CHECKING:
    from rich.console import Console

FORCES_A_KERNEL = (
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
    "MKL_DEBUG_CPU_TYPE",
    "MKL_ENABLE_INSTRUCTIONS",
    "ONEDNN_MAX_CPU_ISA",
    "DNNL_MAX_CPU_ISA",
    "ATEN_CPU_CAPABILITY",
    "NPY_DISABLE_CPU_FEATURES",
)
"""Variables that make a BLAS or a library work as on another processor. Users have none of them."""


def as_users_run() -> None:
    """Starts this program anew without `FORCES_A_KERNEL`, which are read when NumPy and PyTorch are imported, where one of them is set."""
    forced = {name: os.environ[name] for name in FORCES_A_KERNEL if name in os.environ}
    if forced:
        print(f"Users have no such variables, so they are unset for what is measured: {forced}", file=sys.stderr, flush=True)
        kept = {name: value for name, value in os.environ.items() if name not in forced}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], kept)


def kernels() -> list[str]:
    """The BLAS libraries of this process, each with the kernel and the threads that it uses, and PyTorch's own."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:  # then PyTorch's own alone

        def threadpool_info() -> list[dict[str, Any]]:
            return []

    found = []
    for pool in threadpool_info():
        if pool["user_api"] == "blas":
            kernel = pool.get("architecture", "kernel unknown")
            found.append(f"{pool['internal_api']} {pool['version']} {kernel}, {pool['num_threads']} threads")
    built = re.search(r"BLAS_INFO=(\w+)", torch.__config__.show())
    own = f"PyTorch's {built[1] if built else 'BLAS'} {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"
    return list(dict.fromkeys([*found, own]))


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "platform": platform.platform(),
        "cpu": models[0] if models else platform.processor(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "harmonium": hm.__version__,
        "torch_threads": torch.get_num_threads(),
        "blas": kernels(),
    }


def where(on: dict[str, Any]) -> str:
    """The machine in one line, under a table."""
    threads = f"{on['cpus']} cores, {on['torch_threads']} threads, load {on['load_average_before']:.1f} before"
    return f"{on['cpu']}, {threads}; torch {on['torch']}"


def load_average(console: Console) -> float:
    """How many processes wanted to run in the last minute; says so where that spoils the figures."""
    load = os.getloadavg()[0]
    if load > 0.5:
        console.print(f"This machine is busy (load {load:.1f}): times and ratios mean little, NumPy's least of all")
    return load


def markdown_table(headings: list[str], lines: list[list[str]], words: int = 1) -> list[str]:
    """A table as Markdown, its first columns words and the others figures."""
    rule = ["---" if place < words else "---:" for place in range(len(headings))]
    return ["| " + " | ".join(cells) + " |" for cells in (headings, rule, *lines)]


def write(path: Path, record: dict[str, Any]) -> None:
    """One JSON file, whole or not at all."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(json.dumps(record, indent=1) + "\n")
    temporary.replace(path)
