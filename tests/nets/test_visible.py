"""A net takes its inputs as the visible units that it was made of take their data, whatever type they come in."""

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.nets import Visible

DIGITS = hm.data.digits.load()
BITS = {"uint8": torch.uint8, "float": torch.float32, "bool": torch.bool, "int64": torch.int64}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def one_layer(unit, seed=0):
    """A net on a layer of 64 units, and its outputs by NumPy for inputs as numbers."""
    rbm = hm.RBM(unit, hm.Bernoulli(7), hm.Dense(*unit.statistic_shape, 7, scale=0.5, seed=seed))
    net = hm.nets.classifier(hm.DBN([rbm]), 3, seed=seed)
    weights = [parameter.detach().numpy().astype(float) for parameter in net.parameters()]
    return net, lambda x: sigmoid(x @ weights[0].T + weights[1]) @ weights[2].T + weights[3]


@pytest.fixture(scope="module")
def learnt():
    """Digits of black and white pixels, learnt and fine-tuned in each type: the net and its share of errors."""
    torch.set_num_threads(1)
    found = {}
    for name, dtype in BITS.items():
        images, test = ((cases > 127).to(dtype) for cases in (DIGITS.train_images, DIGITS.test_images))
        dbn = hm.greedy(images, [hm.Bernoulli(64), hm.Bernoulli(50)], epochs=3, batch_size=20, seed=0, progress=False)
        net = hm.nets.classifier(dbn, classes=10)
        state = hm.fine_tune(
            net, images, DIGITS.train_labels, validation=(test, DIGITS.test_labels), epochs=12, head_epochs=2, batch_size=20, progress=False
        )
        found[name] = net, hm.predict(net, test), net(test), state.history[-1]["validation_error_percent"]
    return found


@pytest.mark.parametrize("name", ["uint8", "bool", "int64"])
def test_bits_of_any_type_are_learnt_and_classified_alike(learnt, name):
    """Divided by 255 the uint8 images were blank: 90 % of them were wrong."""
    (net, predicted, output, error), (float_net, expected, float_output, float_error) = learnt[name], learnt["float"]
    assert error == float_error < 35
    assert torch.equal(predicted, expected)
    assert torch.equal(output, float_output)
    assert all(torch.equal(value, float_net.state_dict()[key]) for key, value in net.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_grey_levels_declared_as_probabilities_are_shares_of_255(dtype):
    net, expected = one_layer(hm.Bernoulli(64, values="probabilities"))
    net, grey = net.to(dtype), DIGITS.test_images[:50]
    assert grey.max() > 1
    for outputs in (net(grey), hm.predict(net, grey), hm.predict(net, grey.to(dtype) / 255), net(grey.to(dtype) / 255)):
        assert outputs.dtype == dtype
        np.testing.assert_allclose(outputs.detach().numpy(), expected(grey.numpy() / 255), rtol=0, atol=1e-5)


def test_grey_levels_declared_as_means_of_spins():
    net, expected = one_layer(hm.Spin(64, values="means"))
    grey = DIGITS.test_images[:50]
    for outputs in (net(grey), hm.predict(net, grey)):
        np.testing.assert_allclose(outputs.detach().numpy(), expected(2 * (grey.numpy() / 255) - 1), rtol=0, atol=1e-5)


def test_each_part_of_a_group_takes_its_own():
    """The same bytes are levels for one part and counts for the other."""
    unit = hm.Groups(hm.Bernoulli(32, values="probabilities"), hm.Gaussian(32))
    net, expected = one_layer(unit)
    grey = DIGITS.test_images[:50]
    numbers = np.concatenate([grey[:, :32].numpy() / 255, grey[:, 32:].numpy()], axis=1)
    np.testing.assert_allclose(hm.predict(net, grey).numpy(), expected(numbers), rtol=0, atol=1e-4)
    np.testing.assert_allclose(net(grey).detach().numpy(), expected(numbers), rtol=0, atol=1e-4)


def test_outputs_for_floats_are_not_looked_at():
    """Whoever calls the net with floats, as with means or for a gradient in them, gets its function of these."""
    net, expected = one_layer(hm.Bernoulli(64))
    x = torch.randn(9, 64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    outputs = net(x)
    np.testing.assert_allclose(outputs.detach().numpy(), expected(x.detach().numpy()), rtol=0, atol=1e-5)
    outputs.sum().backward()
    assert x.grad.abs().min() > 0


REFUSED = {
    "grey bytes": (DIGITS.test_images, "found values from 0 to 255; grey levels must be declared"),
    "grey levels": (DIGITS.test_images.float() / 255, "expect 0 or 1, found 0"),
    "another width": (DIGITS.test_images[:, :60] > 127, r"\(cases, 64\), at least one case, found \(300, 60\)"),
    "NaN": (torch.full((300, 64), float("nan")), "finite"),
}


@pytest.mark.parametrize(("inputs", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_the_visible_units_cannot_take_is_refused(inputs, message):
    net, _ = one_layer(hm.Bernoulli(64))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    good = torch.zeros(300, 64), DIGITS.test_labels % 3
    with pytest.raises(ValueError, match=message):
        hm.fine_tune(net, inputs, good[1], progress=False)
    with pytest.raises(ValueError, match=message):
        hm.fine_tune(net, *good, validation=(inputs, good[1]), progress=False)
    with pytest.raises(ValueError, match=message):
        hm.predict(net, inputs)
    if not inputs.is_floating_point():
        with pytest.raises(ValueError, match=message):
            net(inputs)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


PLAIN = torch.nn.Sequential(torch.nn.Linear(64, 3))


@pytest.mark.parametrize("inputs", [DIGITS.test_images, (DIGITS.test_images > 127).byte()], ids=["grey", "bits"])
def test_bytes_mean_nothing_to_a_net_without_visible_units(inputs):
    for use in (lambda: hm.predict(PLAIN, inputs), lambda: hm.fine_tune(PLAIN, inputs, DIGITS.test_labels % 3, progress=False)):
        with pytest.raises(ValueError, match=r"uint8.*level / 255.*Visible\(hm\.Bernoulli\(64"):
            use()


def test_a_plain_net_takes_bits_and_floats_and_bytes_after_visible_units():
    grey = DIGITS.test_images
    assert torch.equal(hm.predict(PLAIN, grey > 127), PLAIN((grey > 127).float()).detach())
    net = torch.nn.Sequential(Visible(hm.Bernoulli(64, values="probabilities")), *PLAIN)
    torch.testing.assert_close(hm.predict(net, grey), PLAIN(grey / 255).detach())


def test_weights_saved_before_nets_knew_their_visible_units_load():
    """Their names are those of a net without the first module, and it has no tensors of its own."""
    net, expected = one_layer(hm.Bernoulli(64))
    assert list(net.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    other, _ = one_layer(hm.Bernoulli(64), seed=1)
    other.load_state_dict(net.state_dict())
    x = torch.ones(2, 64)
    np.testing.assert_allclose(other(x).detach().numpy(), expected(x.numpy()), rtol=0, atol=1e-5)
    assert list(net[0].parameters()) == []
    assert isinstance(net[0], Visible)


def test_the_net_keeps_what_the_units_were_told_when_it_was_made():
    rbm = hm.RBM(hm.Bernoulli(64, values="probabilities"), hm.Bernoulli(7))
    net = hm.nets.classifier(hm.DBN([rbm]), 3)
    before = hm.predict(net, DIGITS.test_images)
    rbm.visible.values = "binary"
    assert torch.equal(hm.predict(net, DIGITS.test_images), before)
