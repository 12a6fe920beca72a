"""One thread a test process, so that processes side by side do not wait for each other; the figures do not depend on it."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
