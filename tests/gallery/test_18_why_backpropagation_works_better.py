"""The optimisation view and the overfitting view: errors and distances once more in NumPy, and the claims with room to spare."""

import math

import numpy as np
import torch
from scipy.special import expit

from tests.gallery import prose
from tests.gallery.scripts import GALLERY, run


def error(net: torch.nn.Sequential, x: np.ndarray, y: np.ndarray) -> float:
    """The share of wrong cases in percent, by a forward pass in double precision."""
    linear = [module for module in net if isinstance(module, torch.nn.Linear)]
    for place, module in enumerate(linear):
        x = x @ module.weight.detach().double().numpy().T + module.bias.detach().double().numpy()
        x = expit(x) if place + 1 < len(linear) else x
    return 100 * float((x.argmax(1) != y).mean())


def test_why_backpropagation_works_better() -> None:
    name = "plot_18_why_backpropagation_works_better"
    assert not prose.without_source((GALLERY / f"{name}.py").read_text(), "")
    found = run(name, NETS="2", LABELS="(20, 100)", UPDATES="300", **{"PRETRAINING, HEAD, EPOCHS": "12, 4, 25"})
    assert found["figures"] == ["optimisation_view", "overfitting_view"]
    x, y = found["test"][0].double().numpy(), found["test"][1].numpy()
    for replica, net in enumerate(found["nets"]):  # those of the random start, which came last
        assert abs(error(net, x, y) - found["curves"]["random"][-1, replica]) < 0.5
    for start in found["starts"]:
        for layer, (begun, ended) in enumerate(zip(found["before"][start], found["after"][start], strict=True)):
            way = np.linalg.norm((ended - begun).numpy(), axis=(1, 2)) / np.linalg.norm(begun.numpy(), axis=(1, 2))
            np.testing.assert_allclose(found["moved"][start][layer], way, rtol=1e-4)
    _, counts = np.unique(found["images"].numpy()[:, 27], return_counts=True)
    shares = counts / counts.sum()
    assert abs(-(shares * np.log(shares)).sum() - (-(found["shares"][27] * found["shares"][27].clamp_min(1e-300).log()).sum())) < 1e-9
    assert found["image_nats"] > 20 * math.log(10)

    # Learnt features are of use before any weight of theirs has seen a label, and are hardly changed by what follows.
    curves = found["curves"]
    assert (curves["pre-trained"][3] < 15).all()
    assert (curves["random"][3] > 50).all()
    assert (curves["pre-trained"][8] + 20 < curves["random"][8]).all()
    assert (found["moved"]["pre-trained"] < 0.3).all()
    assert (found["moved"]["random"] > 1).all()
    assert (found["cosines"]["pre-trained"] > 0.95).all()
    assert (found["cosines"]["random"] < 0.85).all()

    # Few labels: as many of each class; pre-training gains much, and only with the unlabelled images.
    row = found["some_of_each"](100, 5)
    assert len(set(row.tolist())) == 100
    assert torch.bincount(found["labels"][row]).tolist() == [10] * 10
    assert found["gains"][0].mean() > 5
    taught, random = (found["found"][start][-1] for start in ("pre-trained", "random"))
    own = found["found"]["pre-trained on the labelled images alone"][0]
    assert max(taught[0].max(), random[0].max(), own[0].max()) < 5  # all know the labelled cases
    assert taught[1].mean() + 1 < random[1].mean()
    assert taught[1].mean() + 1 < own[1].mean()
