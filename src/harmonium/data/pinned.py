"""Rows of the host for a GPU that has no room for all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harmonium.data.tables import as_tensor


class PinnedRows:
    """Rows that stay on the host. Each batch goes to the GPU through pinned memory, beside the updates that are still running.

    The host runs ahead of the GPU. It gathers a batch while earlier updates compute, and a second stream copies it. The update that takes
    the batch waits on the GPU for that copy, and the host waits for nothing. Rows travel in their own type and are converted on the GPU.

    Parameters
    ----------
    data : Tensor or numpy.ndarray
        (cases, ...), on the host.
    device : torch.device
        The GPU.
    convert : callable
        Applied to each batch of rows on the GPU.
    """

    def __init__(self, data: Tensor | np.ndarray[Any, Any], device: torch.device, convert: Callable[[Tensor], Tensor]) -> None:
        self.data, self.device, self.convert = as_tensor(data), device, convert
        self.copies = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def __len__(self) -> int:
        return len(self.data)

    def rows(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        # The memory is the caching host allocator's: it is used again only after the copies from it are done.
        here = torch.empty(len(indices), *self.data.shape[1:], dtype=self.data.dtype, pin_memory=True)
        torch.index_select(self.data, 0, indices, out=here)
        updates = torch.cuda.current_stream(self.device)
        with torch.cuda.stream(self.copies):
            there = here.to(self.device, non_blocking=True)
        updates.wait_stream(self.copies)
        there.record_stream(updates)
        return self.convert(there)
