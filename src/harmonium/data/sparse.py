"""Sparse matrices as sources of rows."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor


def is_sparse(data: Any) -> bool:
    """Whether data are a SciPy sparse matrix or array, or a sparse tensor."""
    return data.layout != torch.strided if isinstance(data, Tensor) else hasattr(data, "tocsr") and hasattr(data, "nnz")


def check_indices(matrix: Any) -> None:
    """Raises a ValueError where the indices of a compressed matrix leave it: SciPy would use them, and write outside of its memory."""
    matrix.check_format(full_check=True)
    if (matrix.indptr[1:] < matrix.indptr[:-1]).any():  # SciPy (1.17) does not look where the last is 0
        raise ValueError("its rows do not follow each other")


class SparseRows:
    """Rows of a sparse matrix, (cases, units), made dense one batch at a time.

    Parameters
    ----------
    data : scipy.sparse matrix or array, or sparse torch.Tensor
        (cases, units). What is not in compressed row format (CSR) is brought into it.
    """

    def __init__(self, data: Any) -> None:
        if isinstance(data, Tensor):
            from scipy import sparse

            if data.dim() != 2:
                raise ValueError(f"sparse data are a matrix of one row per case, found {tuple(data.shape)}")
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Sparse CSR tensor support")  # that it is in beta state
                held = data.detach().to_sparse_csr().cpu()
            parts = held.values().numpy(), held.col_indices().numpy(), held.crow_indices().numpy()
            self.data = sparse.csr_array(parts, shape=tuple(held.shape))
        else:
            self.data = data.tocsr()
        self.shape: tuple[int, ...] = tuple(self.data.shape)
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def rows(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        found: np.ndarray[Any, Any] = self.data[indices.numpy()].toarray()
        return torch.from_numpy(found)
