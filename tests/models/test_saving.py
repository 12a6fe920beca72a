"""Models on disk: the same bits back, and files that are refused."""

import itertools
import json
import os

import pytest
import safetensors.torch
import torch

import harmonium as hm
from harmonium.files import WITHOUT_CHECKSUM

from .machines import LAYERS, PAIRS, machine

SHAPED = [
    lambda: hm.Bernoulli((2, 3), bias_shape=(2, 1), values="probabilities"),
    lambda: hm.Gaussian((2, 3), variance=0.3, bias_shape=(3,), variance_shape=(2, 1), learn_variance=True),
    lambda: hm.Gaussian(4, variance=2.5),
    lambda: hm.Softmax(3, categories=4, values="probabilities"),
    lambda: hm.Spin((2, 3), bias_shape=(2, 1), values="means"),
    lambda: hm.Binomial((2, 3), copies=5, bias_shape=(3,), values="means"),
    lambda: hm.SteppedSigmoid((2, 3), copies=4, bias_shape=(2, 1), values="means"),
    lambda: hm.SteppedSigmoid(3, values="means"),
    lambda: hm.Poisson((2, 3), bias_shape=(2, 1), values="means"),
    lambda: hm.Exponential((2, 3), rate=0.3, bias_shape=(2, 1)),
    lambda: hm.TruncatedGaussian((2, 3), variance=0.3, bias_shape=(3,), variance_shape=(2, 1), learn_variance=True),
    lambda: hm.PooledBlocks((2, 4, 6), pool=(2, 3), bias_shape=(2, 1, 1)),
    lambda: hm.NoisyReLU((2, 3), noise="unit", cap=6.0, bias_shape=(2, 1)),
    lambda: hm.ReplicatedSoftmax(4),
    lambda: hm.Groups(hm.ReplicatedSoftmax(4), hm.Spin(2)),
    lambda: hm.Groups(hm.Groups(hm.Bernoulli(2), hm.Gaussian(1)), hm.Softmax(2, categories=2)),
]


def jumbled(model, seed=0):
    """Every parameter and buffer at random."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.copy_(torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype))
    return model


def same(found, expected):
    assert type(found) is type(expected)
    assert found.state_dict().keys() == expected.state_dict().keys()
    for name, tensor in expected.state_dict().items():
        assert found.state_dict()[name].dtype == tensor.dtype
        assert torch.equal(found.state_dict()[name], tensor)
    assert {name for name, _ in found.named_parameters()} == {name for name, _ in expected.named_parameters()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("make", [*LAYERS.values(), *SHAPED])
def test_every_unit_comes_back_to_the_bit(tmp_path, make, dtype):
    rbm = jumbled(hm.RBM(make(), hm.Bernoulli(2)).to(dtype))
    hm.save(rbm, tmp_path / "model")
    found = hm.load(tmp_path / "model")
    same(found, rbm)
    assert found.visible.arguments().keys() == rbm.visible.arguments().keys()
    assert str(found) == str(rbm)


COUPLINGS = [
    lambda: hm.LowRank((2, 3), 4, rank=2),
    lambda: hm.Convolutional((2, 6), 3, kernel=3, stride=2, padding=1),
    lambda: hm.Convolutional((1, 4, 5), 2, kernel=(3, 2), stride=(1, 2), padding=(0, 1)),
    lambda: hm.Conditional(hm.Dense(5, 4), (2, 3)),
    lambda: hm.Conditional(hm.Convolutional((2, 6), 3, kernel=3), 2),
]


@pytest.mark.parametrize("make", COUPLINGS)
def test_every_coupling_comes_back_to_the_bit(tmp_path, make):
    coupling = make()
    rbm = jumbled(hm.RBM(hm.Bernoulli(coupling.visible), hm.Bernoulli(coupling.hidden), coupling))
    hm.save(rbm, tmp_path / "model")
    found = hm.load(tmp_path / "model")
    same(found, rbm)
    assert found.coupling.arguments().keys() == rbm.coupling.arguments().keys()
    assert str(found) == str(rbm)


@pytest.mark.parametrize(("visible", "hidden"), PAIRS[::5])
def test_a_loaded_machine_has_the_same_free_energy(tmp_path, visible, hidden):
    rbm = machine(visible, hidden)
    hm.save(rbm, tmp_path / "new" / "folder" / "model")
    found = hm.load(tmp_path / "new" / "folder" / "model")
    v = rbm.visible.sample(rbm.visible.zero_input(5), generator=torch.Generator().manual_seed(0))
    assert torch.equal(found.free_energy(v), rbm.free_energy(v))


def test_a_deep_belief_net_comes_back_tied(tmp_path):
    sizes = [5, 4, 3, 2]
    dbn = jumbled(hm.DBN([hm.RBM(hm.Bernoulli(a), hm.Bernoulli(b)) for a, b in itertools.pairwise(sizes)]))
    hm.save(dbn, tmp_path / "model")
    found = hm.load(tmp_path / "model")
    same(found, dbn)
    assert found.recognition[0].coupling.weight is found.generative[0].coupling.weight
    with safetensors.safe_open(tmp_path / "model", framework="pt") as file:
        assert sum(file.get_tensor(name).numel() for name in file.keys()) == sum(p.numel() for p in dbn.parameters())  # noqa: SIM118


def labelled(others, hidden):
    return hm.RBM(hm.Groups(others, hm.Softmax(1, categories=2)), hidden)


LABELS = {
    "beside the top layer": (lambda: [hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3)), labelled(hm.Bernoulli(3), hm.Bernoulli(2))], True, True),
    "beside the data": (lambda: [labelled(hm.Bernoulli(3), hm.Bernoulli(2))], True, True),
    "not called so": (lambda: [labelled(hm.Bernoulli(3), hm.Bernoulli(2))], False, True),
    "no labels": (lambda: [hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3)), hm.RBM(hm.Bernoulli(3), hm.Bernoulli(2))], False, False),
    "a layer that looks like them": (
        lambda: [
            hm.RBM(hm.Bernoulli(4), hm.Groups(hm.Bernoulli(3), hm.Softmax(1, categories=2))),
            labelled(hm.Bernoulli(3), hm.Bernoulli(2)),
        ],
        False,
        False,
    ),
}


@pytest.mark.parametrize(("make", "labels", "before"), LABELS.values(), ids=LABELS.keys())
def test_a_net_s_labels_come_back_as_declared(tmp_path, make, labels, before):
    """And from files that say nothing of them as the version that wrote these saw them, by the layers' shapes; 0.1 had none."""
    path, dbn = tmp_path / "model", jumbled(hm.DBN(make(), labels=labels))
    hm.save(dbn, path)
    same(hm.load(path), dbn)
    assert (hm.load(path).labels is not None) == labels
    with safetensors.safe_open(path, framework="pt") as file:
        tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    header = json.loads(metadata["harmonium"])
    for missing, expected in ((("labels",), before), (("labels", "untied"), False)):
        if labels and len(dbn.rbms) > 1 and not expected:
            continue  # no file of 0.1
        old = {"model": {name: value for name, value in header["model"].items() if name not in missing}, "dtype": header["dtype"]}
        safetensors.torch.save_file(tensors, path, {"format": WITHOUT_CHECKSUM, "harmonium": json.dumps(old)})
        assert (hm.load(path).labels is not None) == expected


def saved(tmp_path):
    path = tmp_path / "the-model-file"
    hm.save(machine("bernoulli", "bernoulli"), path)
    return path


def test_there_is_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing-here"):
        hm.load(tmp_path / "nothing-here")


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_a_truncated_file(tmp_path, kept):
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match="the-model-file"):
        hm.load(path)


def test_a_file_of_something_else(tmp_path):
    path = tmp_path / "the-model-file"
    path.write_bytes(b"%PDF-1.4 and so on, at some length")
    with pytest.raises(ValueError, match="the-model-file"):
        hm.load(path)


HEADERS = {
    "another program's": None,
    "no model": {"settings": {}},
    "a kind unknown here": {"model": {"kind": "Perceptron"}, "dtype": "float32"},
    "arguments unknown here": {"model": {"kind": "Bernoulli", "colour": 3}, "dtype": "float32"},
    "a unit, with no tensors": {"model": {"kind": "Bernoulli", "shape": [3]}, "dtype": "float32"},
    "a dtype unknown here": {"model": {"kind": "Bernoulli", "shape": [3]}, "dtype": "float7"},
    "not JSON": "{",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
def test_a_foreign_safetensors_file(tmp_path, header):
    path = tmp_path / "the-model-file"
    metadata = (
        None if header is None else {"format": WITHOUT_CHECKSUM, "harmonium": header if isinstance(header, str) else json.dumps(header)}
    )
    safetensors.torch.save_file({"x": torch.zeros(2)}, path, metadata)
    with pytest.raises(ValueError, match="the-model-file"):
        hm.load(path)


def test_tensors_of_another_shape(tmp_path):
    path = saved(tmp_path)
    with safetensors.safe_open(path, framework="pt") as file:
        tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    tensors["coupling.weight"] = torch.zeros(7, 7, dtype=torch.float64)
    safetensors.torch.save_file(tensors, path, {**metadata, "format": WITHOUT_CHECKSUM})
    with pytest.raises(ValueError, match=r"the-model-file.*coupling\.weight.*\(3, 3\).*\(7, 7\)"):
        hm.load(path)


@pytest.mark.parametrize("broken", ["replace", "fsync"])
def test_an_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch, broken):
    path = saved(tmp_path)
    before = path.read_bytes()

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, broken, interrupt)
    with pytest.raises(KeyboardInterrupt):
        hm.save(machine("bernoulli", "gaussian"), path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["the-model-file"]
    hm.load(path)
