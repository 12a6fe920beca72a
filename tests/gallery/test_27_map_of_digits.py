"""A map of digits: errors and codes against NumPy, and neighbours counted one by one."""

import numpy as np
import pytest

from tests.gallery.scripts import run


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_map_of_digits() -> None:
    found = run("plot_27_map_of_digits")
    assert found["figures"] == ["map_of_digits"]
    errors, agreement = found["errors"], found["agreement"]
    assert errors["autoencoder"] < errors["PCA, 5 numbers"] < errors["PCA, 2 numbers"]
    assert errors["autoencoder"] < 0.7 * errors["stack, unrolled"]
    assert agreement["autoencoder"] > agreement["PCA"] + 0.15

    # The net, written out here.
    weights = [parameter.detach().double().numpy() for parameter in found["net"].parameters()]
    layers = list(zip(weights[::2], weights[1::2], strict=True))
    assert [weight.shape[0] for weight, _ in layers] == [200, 100, 2, 100, 200, 64]
    x = found["levels"]["test"]
    h = x
    for number, (weight, bias) in enumerate(layers):
        h = h @ weight.T + bias
        if number == 2:
            np.testing.assert_allclose(h, found["maps"]["autoencoder"]["test"], atol=2e-4)
        else:
            h = sigmoid(h)
    assert ((h - x) ** 2).sum(1).mean() == pytest.approx(errors["autoencoder"], rel=1e-4)

    # PCA by the singular values of the centred images.
    train = found["levels"]["train"]
    axes = np.linalg.svd(train - train.mean(0), full_matrices=False)[2][:5]
    centred = x - train.mean(0)
    assert ((centred - centred @ axes.T @ axes) ** 2).sum(1).mean() == pytest.approx(errors["PCA, 5 numbers"], rel=1e-6)

    # The share of test images whose class is that of most of the five nearest.
    for name, codes in found["maps"].items():
        distances = ((codes["test"][:, None] - codes["train"][None]) ** 2).sum(-1)
        classes = found["digits"].train_labels.numpy()[np.argsort(distances, axis=1)[:, :5]]
        most = np.array([np.bincount(row, minlength=10).argmax() for row in classes])
        assert (most == found["digits"].test_labels.numpy()).mean() == pytest.approx(agreement[name], abs=0.01)
