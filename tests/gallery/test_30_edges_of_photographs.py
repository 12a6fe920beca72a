"""Edges of photographs: that the fields are oriented, by their own gradients, without a fit."""

import numpy as np
import torch

from tests.gallery.scripts import run


def oriented(fields: np.ndarray) -> np.ndarray:
    """How far the gradients of each 8 x 8 field keep to one axis: |Σ g² exp(2iθ)| / Σ g², 0 to 1."""
    down, across = np.diff(fields, axis=1)[:, :, :-1], np.diff(fields, axis=2)[:, :-1]
    return np.abs(((across + 1j * down) ** 2).sum((1, 2))) / (across**2 + down**2).sum((1, 2))


def test_edges_of_photographs() -> None:
    found = run("plot_30_edges_of_photographs")
    assert found["figures"] == ["edges_of_photographs"]
    assert (torch.cov(found["white"].double().T, correction=0) - torch.eye(40)).abs().max() < 1e-4
    before, after = (found["fields"][when].numpy().T.reshape(-1, 8, 8) for when in ("before", "after"))
    assert np.mean(oriented(before) > 0.5) < 0.15
    assert np.mean(oriented(after) > 0.5) > 0.45
    assert found["edges"]["after"] > 0.3 > 0.05 > found["edges"]["before"]
    largest = np.linalg.svd(found["rbm"].coupling.weight.detach().numpy(), compute_uv=False)[0]
    assert largest < found["rbm"].visible.log_variance.exp().sqrt().item()  # it has a partition function
