"""One thread a test process, so that processes side by side do not wait for each other; the figures do not depend on it."""

import os

import pytest

# Before NumPy is imported, as its BLAS looks only then; processes that a test starts inherit it.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    import torch  # here, as the process that hands tests to its workers needs none of it

    torch.set_num_threads(1)
