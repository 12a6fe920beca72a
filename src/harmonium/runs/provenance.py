"""Where a figure comes from: the command, the commit and the machine that made it."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path


def command() -> str:
    """The command that is running, as one would type it."""
    return shlex.join(["harmonium", *sys.argv[1:]])


def machine(device: str = "cpu") -> str:
    """The machine, in words. `device`: "cpu" or "cuda"."""
    import torch  # here: only a run that begins asks

    system = f"{platform.system()}, Python {platform.python_version()}, torch {torch.__version__}"
    if device == "cuda":
        return f"{torch.cuda.get_device_name()}, {system}"
    return f"{os.cpu_count()} cores, {_processor()}, {system}"


def _processor() -> str:
    """The name that Linux gives it, or what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def commit() -> str:
    """The commit of the code that is running, marked if files that it tracks differ from it; "unknown" outside a checkout.

    The environment variable HARMONIUM_COMMIT says it where a copy of the code does not know.
    """
    if said := os.environ.get("HARMONIUM_COMMIT"):
        return said
    try:
        return git("rev-parse", "HEAD") + ("-changed" if git("status", "--porcelain", "--untracked-files=no", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def git(*arguments: str) -> str:
    """What git says of the checkout that this code is of. OSError or CalledProcessError where it says nothing."""
    found = subprocess.run(["git", *arguments], cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    return found.stdout.strip()
