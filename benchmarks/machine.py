"""What a benchmark says of the machine it ran on, and how it keeps its figures."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from threadpoolctl import threadpool_info

import harmonium as hm


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
        "thread_pools": [{key: pool[key] for key in ("user_api", "internal_api", "num_threads")} for pool in threadpool_info()],
    }


def load_average(console: Console) -> float:
    """How many processes wanted to run in the last minute; says so where that spoils the figures."""
    load = os.getloadavg()[0]
    if load > 0.5:
        console.print(f"This machine is busy (load {load:.1f}): times and ratios mean little, NumPy's least of all")
    return load


def write(path: Path, record: dict[str, Any]) -> None:
    """One JSON file, whole or not at all."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(json.dumps(record, indent=1) + "\n")
    temporary.replace(path)
