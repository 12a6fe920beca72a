"""A net that leaves the package gives the same numbers: beside a forward pass in NumPy."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch

import harmonium as hm

CASES = torch.export.Dim("cases", min=1)
ONNX = ("onnx", "onnxscript", "onnxruntime")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


FUNCTIONS = {
    "Bernoulli": (hm.Bernoulli(7), sigmoid),
    "Spin": (hm.Spin(7), np.tanh),
    "Gaussian": (hm.Gaussian(7), lambda x: x),
    "NoisyReLU": (hm.NoisyReLU(7), lambda x: np.maximum(x, 0)),
    "capped": (hm.NoisyReLU(7, cap=0.5), lambda x: np.clip(x, 0, 0.5)),
}


def made(hidden):
    pixels = hm.Bernoulli(16, values="probabilities")
    stack = [hm.RBM(pixels, hidden, hm.Dense(16, 7, scale=1.0)), hm.RBM(hidden, hm.Bernoulli(5), hm.Dense(7, 5, scale=1.0, seed=1))]
    net = hm.nets.classifier(hm.DBN(stack), classes=3, dropout=0.2, input_dropout=0.1).eval()
    weights = [parameter.detach().numpy().astype(float) for parameter in net.parameters()]
    return net, weights


def forward(weights, function, x):
    hidden = function(x @ weights[0].T + weights[1])
    return sigmoid(hidden @ weights[2].T + weights[3]) @ weights[4].T + weights[5]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_exported_net_gives_the_same_numbers(tmp_path, name):
    hidden, function = FUNCTIONS[name]
    net, weights = made(hidden)
    grey = torch.randint(0, 256, (9, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    expected = forward(weights, function, grey.numpy() / 255)
    np.testing.assert_allclose(net(grey).detach().numpy(), expected, atol=1e-5)
    kinds = [grey / 255, grey] if name == "Bernoulli" else [grey / 255]
    for inputs in kinds:
        program = torch.export.export(net, (inputs[:2],), dynamic_shapes=({0: CASES},))
        torch.export.save(program, tmp_path / "net.pt2")
        graph = torch.export.load(tmp_path / "net.pt2").module()
        for count in (9, 1):
            np.testing.assert_allclose(graph(inputs[:count]).detach().numpy(), expected[:count], atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # PyTorch's exporter calls what PyTorch deprecates
@pytest.mark.skipif(not all(find_spec(name) for name in ONNX), reason=f"needs {', '.join(ONNX)}: the extra `onnx`")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_onnx_file_gives_the_same_numbers(tmp_path, name):
    import onnxruntime

    hidden, function = FUNCTIONS[name]
    net, weights = made(hidden)
    x = torch.rand(9, 16, generator=torch.Generator().manual_seed(0))
    torch.onnx.export(net, (x[:2],), tmp_path / "net.onnx", dynamo=True, dynamic_shapes=({0: CASES},), input_names=["x"])
    (found,) = onnxruntime.InferenceSession(tmp_path / "net.onnx").run(None, {"x": x.numpy()})
    np.testing.assert_allclose(found, forward(weights, function, x.numpy()), atol=1e-5)
