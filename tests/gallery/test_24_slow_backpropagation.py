"""Error signals and gradients layer by layer, once more by a backward pass in NumPy; and what they do to learning."""

import math

import numpy as np
import torch
from scipy.special import expit, softmax

from tests.gallery import prose
from tests.gallery.scripts import GALLERY, run


def backward(net: torch.nn.Sequential, x: np.ndarray, y: np.ndarray) -> tuple[list[float], list[float]]:
    """Root mean square norms of the error signals, and norms of the weights' gradients, from the bottom."""
    linear = [module for module in net if isinstance(module, torch.nn.Linear)]
    weights, biases = ([getattr(module, name).detach().double().numpy() for module in linear] for name in ("weight", "bias"))
    states = [x]
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        states.append(expit(states[-1] @ weight.T + bias))
    delta = softmax(states[-1] @ weights[-1].T + biases[-1], axis=1) - np.eye(10)[y]
    signals, gradients = [], []
    for layer in reversed(range(len(weights))):
        signals.insert(0, math.sqrt((delta**2).sum(1).mean()))
        gradients.insert(0, float(np.linalg.norm(delta.T @ states[layer] / len(x))))
        if layer:
            delta = delta @ weights[layer] * states[layer] * (1 - states[layer])
    return signals, gradients


def test_slow_backpropagation() -> None:
    name = "plot_24_slow_backpropagation"
    assert not prose.without_source((GALLERY / f"{name}.py").read_text(), "")
    smaller = {"SEEDS, SIZE, DEEPEST": "2, 64, 8", "PRETRAINING, EPOCHS": "8, 8", "LEARNT_DEPTHS": "(1, 8)"}
    found = run(name, **smaller)
    assert found["figures"] == ["slow_backpropagation"]
    x, y = found["images"].double().numpy() / 255, found["labels"].numpy()
    for start, stacks in found["stacks"].items():
        signals, gradients = backward(found["net_of"](stacks[1], 8, 1), x, y)
        np.testing.assert_allclose(found["signals"][start][1], signals, rtol=1e-3)
        np.testing.assert_allclose(found["gradients"][start][1], gradients, rtol=1e-3, atol=1e-7)
        _, alone = backward(found["net_of"](stacks[0], 3, 0), x, y)
        assert abs(found["lowest"][start][0, 2] / alone[0] - 1) < 1e-3

    # Of random weights from N(0, 1/n) each layer keeps a quarter at most, on average; the others keep far more.
    kept = {start: (each[:, :-2] / each[:, 1:-1]).log().mean().exp() for start, each in found["signals"].items()}
    assert 0.2 < kept["random"] < 0.25
    assert kept["pre-trained"] > 0.5
    assert kept["random, four times larger"] > 0.5
    assert (found["lowest"]["random"].diff(dim=1) < 0).all()
    assert (found["lowest"]["random"][:, -1] < 1e-3 * found["lowest"]["random"][:, 0]).all()
    assert (found["lowest"]["pre-trained"][:, -1] > 100 * found["lowest"]["random"][:, -1]).all()
    losses = found["losses"]
    assert (losses["random", 8][-1] > 0.99 * math.log(10)).all()
    assert (losses["random", 1][-1] < 0.5).all()
    assert (losses["pre-trained", 8][-1] < 0.5).all()
