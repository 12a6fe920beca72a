"""Whether learning grows: the memory, the open files and the checkpoint of a long training."""

from __future__ import annotations

import ctypes
import os
import resource
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch

import harmonium as hm
from harmonium.learning import TrainingState

ROWS, BATCH = 100, 5  # twenty steps an epoch
TRIM = getattr(ctypes.CDLL(None), "malloc_trim", int)  # of glibc


@dataclass
class Sizes(hm.Callback):
    """What training takes, once an epoch: bytes of memory, open files, and bytes of the checkpoint."""

    path: Path
    memory: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    checkpoint: list[int] = field(default_factory=list)

    def on_epoch(self, state: TrainingState) -> None:
        TRIM(0)  # what the allocator keeps for later is not growth: it varies by a few copies of the checkpoint
        self.memory.append(int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize())
        self.files.append(len(os.listdir("/proc/self/fd")))
        self.checkpoint.append(self.path.stat().st_size if self.path.exists() else 0)


def learn(steps: int, path: Path) -> tuple[Sizes, TrainingState]:
    """So many steps of a small machine with chains and momentum, with a checkpoint each epoch."""
    rbm = hm.RBM(hm.Bernoulli(10), hm.Bernoulli(8), seed=0)
    data = torch.rand(ROWS, 10, generator=torch.Generator().manual_seed(0)).round()
    sizes, sgd = Sizes(path), partial(torch.optim.SGD, lr=0.01, momentum=0.5)
    state = hm.fit(rbm, data, negative=hm.PersistentCD(chains=5), optimizer=sgd, batch_size=BATCH, epochs=steps * BATCH // ROWS,
                   callbacks=sizes, checkpoint=path, seed=1, progress=False)  # fmt: skip
    return sizes, state
