"""A fine-tuned net comes back from its file as the same plain torch.nn, in a process that knows nothing of it."""

import json
import subprocess
import sys

import pytest
import safetensors
import torch
from torch import nn

import harmonium as hm


def fine_tuned(dropout=0.0):
    rows = torch.randint(0, 256, (40, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    layers = [hm.Bernoulli(16, values="probabilities"), hm.Bernoulli(8), hm.NoisyReLU(6)]
    dbn = hm.greedy(rows, layers, epochs=1, progress=False)
    net = hm.nets.classifier(dbn, classes=3, dropout=dropout, input_dropout=dropout)
    hm.fine_tune(net, rows, torch.arange(40) % 3, epochs=3, head_epochs=1, progress=False)
    return net, rows


@pytest.mark.parametrize("dropout", [0.0, 0.25])
def test_a_classifier_comes_back(tmp_path, dropout):
    net, rows = fine_tuned(dropout)
    hm.save(net, tmp_path / "net.safetensors")
    before = torch.get_rng_state()
    again = hm.load(tmp_path / "net.safetensors")
    assert torch.equal(before, torch.get_rng_state())
    assert repr(again) == repr(net)
    assert not again.training
    assert torch.equal(again(rows), net(rows))  # bytes as levels / 255
    assert torch.equal(hm.predict(again, rows), hm.predict(net, rows))
    assert list(again.state_dict()) == list(net.state_dict())


def test_a_fresh_process_gives_the_same_numbers(tmp_path):
    net, rows = fine_tuned()
    hm.save(net, tmp_path / "net.safetensors")
    torch.save(rows, tmp_path / "rows.pt")
    code = "import sys, torch, harmonium as hm; net = hm.load(sys.argv[1]); print(net(torch.load(sys.argv[2])).double().sum().item())"
    found = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "net.safetensors", tmp_path / "rows.pt"], capture_output=True, text=True, check=True
    )
    assert float(found.stdout) == pytest.approx(net(rows).double().sum().item(), abs=1e-6)


def test_convolutions_and_buffers_come_back(tmp_path):
    features = [nn.Unflatten(1, (1, 4, 4)), nn.Conv2d(1, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2)]
    net = nn.Sequential(*features, nn.Flatten(), nn.Sequential(nn.Linear(12, 5), nn.LeakyReLU(0.2)), nn.Linear(5, 2)).double()
    rows = torch.rand(6, 16, generator=torch.Generator().manual_seed(0)).double()
    net(rows)  # moves the running means
    hm.save(net.eval(), tmp_path / "net.safetensors")
    again = hm.load(tmp_path / "net.safetensors")
    assert repr(again) == repr(net)
    assert torch.equal(again(rows), net(rows))
    assert [parameter.dtype for parameter in again.parameters()] == [torch.float64] * 7


def test_arguments_that_change_the_numbers_come_back(tmp_path):
    pools = [nn.MaxPool2d(2, stride=1, dilation=2), nn.AvgPool2d(2, padding=1, count_include_pad=False)]
    net = nn.Sequential(nn.GELU("tanh"), *pools, nn.ReLU(inplace=True), nn.Dropout(0.5, inplace=True)).eval()
    net.note = "an attribute that computes nothing"
    hm.save(net, tmp_path / "net.safetensors")
    again = hm.load(tmp_path / "net.safetensors")
    assert repr(again) == repr(net)
    rows = torch.randn(2, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again(rows.clone()), net(rows.clone()))


class OfOnesOwn(nn.Linear):
    def forward(self, input):
        return -super().forward(input)


def test_what_its_arguments_do_not_describe_is_refused_by_name(tmp_path):
    twice = nn.Linear(3, 3)
    tied = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    tied[1].weight = tied[0].weight
    normed = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 3)))
    more = nn.Sequential(nn.Linear(3, 3))
    more[0].register_buffer("mask", torch.ones(3))
    hooked, replaced, changed = (nn.Sequential(nn.Linear(3, 3)) for _ in range(3))
    hooked[0].register_forward_hook(lambda module, inputs, output: 2 * output)
    replaced[0].forward = lambda rows: -rows
    changed.register_forward_pre_hook(lambda module, inputs: None)
    for net, message in (
        (hooked, "do not hold the forward hooks of '0'; its weights alone"),
        (replaced, "do not hold the forward of '0'; "),
        (changed, "do not hold the forward pre hooks of the net; "),
        (nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3).double()), "one type, found torch.float32 and torch.float64"),
        (nn.Sequential(nn.ReLU(), OfOnesOwn(3, 3)), "found OfOnesOwn at '1'"),
        (nn.Sequential(twice, nn.ReLU(), twice), "some of them twice"),
        (tied, "some of them twice"),
        (normed, "found ParametrizedLinear at '0'"),
        (more, "'0.mask' does not follow"),
        (nn.LSTM(3, 3), "found LSTM: "),
        (hm.Bernoulli(3), "found Bernoulli$"),
        (None, "found NoneType$"),
    ):
        with pytest.raises(TypeError, match=message):
            hm.save(net, tmp_path / "net.safetensors")
        assert not (tmp_path / "net.safetensors").exists()


def test_a_file_with_a_module_of_another_name_is_refused(tmp_path):
    """Names come from a table and nothing is imported for a file."""
    path = tmp_path / "net.safetensors"
    hm.save(nn.Sequential(nn.Linear(2, 2)), path)
    with safetensors.safe_open(path, "pt") as file:
        header, tensors = json.loads(file.metadata()["harmonium"]), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    header["model"]["net"]["inside"][0][1]["module"] = "os.system"
    hm.models.saving.write_tensors(path, tensors, header)
    with pytest.raises(ValueError, match=r"which is no module"):
        hm.load(path)
