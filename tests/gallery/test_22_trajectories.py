"""Trajectories with and without pre-training do not overlap: neighbours and distances once more, by SciPy."""

import numpy as np
from scipy.spatial.distance import cdist

from tests.gallery.scripts import run


def test_trajectories() -> None:
    found = run("plot_22_trajectories", **{"NETS, CASES, UNITS": "6, 500, 50", "PRETRAINING, EPOCHS": "8, 25"})
    assert found["figures"] == ["trajectories"]
    probabilities = found["points"].numpy() * len(found["test_images"]) ** 0.5
    np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-5)
    kinds, epochs, nets = probabilities.shape[:3]
    rows = [(kind, net, probabilities[kind, epoch, net].ravel()) for kind in range(kinds) for epoch in range(epochs) for net in range(nets)]
    distance = cdist(np.stack([row[2] for row in rows]), np.stack([row[2] for row in rows])) / len(found["test_images"]) ** 0.5
    beside_others = 0
    for place, (kind, net, _) in enumerate(rows):
        order = np.argsort(distance[place])
        nearest = next(other for other in order if rows[other][:2] != (kind, net))
        beside_others += rows[nearest][0] != kind
    assert abs(found["overlap"]["function space"] - beside_others / len(rows)) < 2 / len(rows)

    assert found["overlap"]["function space"] < 0.05
    assert found["overlap"]["t-SNE"] < 0.1
    assert found["overlap"]["Isomap"] < 0.25
    without, pretrained = found["within"]
    assert pretrained < 0.7 * without  # one region; the others part
    assert pretrained < 0.7 * found["between"]
    assert all(plane.shape == (len(rows), 2) for plane in found["maps"].values())
