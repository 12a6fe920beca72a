"""Siamese nets, against NumPy and finite differences."""

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import harmonium as hm
from tests.nets.test_classifier import array, sigmoid, stack

KINDS = {
    "rectified": (lambda: hm.NoisyReLU(5), lambda x: np.maximum(x, 0)),
    "binary": (lambda: hm.Bernoulli(5), sigmoid),
}


def pairs(cases=7, seed=1):
    return torch.tensor(np.random.default_rng(seed).normal(size=(cases, 2, 6)))


def head(net, weight, bias):
    net[-1].weight.data.fill_(weight)
    net[-1].bias.data.fill_(bias)
    return net


@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_cosine_and_probability(kind, biases):
    """Both images of a pair by the same weights, a loop over pairs, the angle by its definition."""
    make, function = KINDS[kind]
    dbn = stack(lambda: hm.Gaussian(6), make, lambda: hm.NoisyReLU(4))
    net = head(hm.nets.siamese(dbn, biases=biases), 3.0, -0.7)
    first, second = dbn.rbms

    def features(image):
        offsets = [array(rbm.hidden.bias) if biases else 0.0 for rbm in (first, second)]
        below = function(image / array(first.visible.log_variance.exp()) @ array(first.coupling.weight) + offsets[0])
        return np.maximum(below @ array(second.coupling.weight) + offsets[1], 0)

    expected = []
    for one, other in pairs().numpy():
        a, b = features(one), features(other)
        cosine = a @ b / max(np.sqrt(a @ a) * np.sqrt(b @ b), 1e-30)
        expected.append(sigmoid(3.0 * cosine - 0.7))
    outputs = net(pairs())
    assert outputs.shape == (7, 2)
    np.testing.assert_allclose(array(outputs.softmax(1)[:, 1]), expected, atol=1e-9)
    np.testing.assert_allclose(array(net[:-1](pairs()))[3, 1], features(pairs().numpy()[3, 1]), atol=1e-9)


def test_it_begins_at_the_stack_which_stays_as_it_is():
    dbn = stack(lambda: hm.Gaussian(6), lambda: hm.NoisyReLU(5), lambda: hm.NoisyReLU(4))
    before = copy.deepcopy(dbn.state_dict())
    net = hm.nets.siamese(dbn)
    linear = [module for module in net if isinstance(module, torch.nn.Linear)]
    for module, rbm, variance in zip(linear, dbn.rbms, (dbn.visible.log_variance.exp(), torch.ones(5).double()), strict=True):
        torch.testing.assert_close(module.weight, (rbm.coupling.weight / variance[:, None]).T)
        assert torch.equal(module.bias, rbm.hidden.bias)
    assert net[-1].weight.dtype == torch.float64
    assert sum(each.numel() for each in net.parameters()) == 6 * 5 + 5 + 5 * 4 + 4 + 2  # one extractor for both sides
    hm.fine_tune(net, pairs(), torch.arange(7) % 2, epochs=2, head_epochs=0, progress=False)
    assert not torch.equal(linear[0].bias, dbn.rbms[0].hidden.bias)
    assert all(torch.equal(each, dbn.state_dict()[name]) for name, each in before.items())


def test_the_gradient_is_that_of_finite_differences():
    dbn = stack(lambda: hm.Gaussian(6), lambda: hm.NoisyReLU(5), lambda: hm.Bernoulli(4))
    net, x, same = head(hm.nets.siamese(dbn), 2.0, -1.0), pairs(), torch.arange(7) % 2
    F.cross_entropy(net(x), same).backward()

    @torch.no_grad()
    def cost():
        p = net(x)[:, 1].sigmoid()
        return -torch.where(same == 1, p, 1 - p).log().mean().item()

    for parameter in net.parameters():
        flat, gradient = parameter.data.view(-1), parameter.grad.view(-1)
        for place in range(0, len(flat), 3):
            kept, step = flat[place].item(), 1e-6
            flat[place] = kept + step
            above = cost()
            flat[place] = kept - step
            slope = (above - cost()) / (2 * step)
            flat[place] = kept
            assert gradient[place].item() == pytest.approx(slope, abs=1e-8)


def test_contrast_does_not_matter_without_biases():
    """Rectified features without biases are multiplied by what an image is multiplied by."""
    dbn = stack(lambda: hm.Gaussian(6), lambda: hm.NoisyReLU(5), lambda: hm.NoisyReLU(4)).float()
    x = pairs().float()
    scaled = x.clone()
    scaled[:, 0] *= 3.7
    scaled[:, 1] *= 0.2
    net = head(hm.nets.siamese(dbn, biases=False), 5.0, -2.0)
    torch.testing.assert_close(net(scaled), net(x), rtol=0, atol=1e-5)
    torch.testing.assert_close(net[:-1](scaled)[:, 0], 3.7 * net[:-1](x)[:, 0])
    torch.testing.assert_close(net(x.flip(1)), net(x), rtol=0, atol=1e-5)
    with_biases = head(hm.nets.siamese(dbn), 5.0, -2.0)
    assert (with_biases(scaled) - with_biases(x)).abs().max() > 0.1


def test_a_blank_image_is_like_no_other():
    net = head(hm.nets.siamese(stack(lambda: hm.Gaussian(6), lambda: hm.NoisyReLU(5)), biases=False), 4.0, -1.5)
    x = pairs()
    x[:, 0] = 0
    found = net(x)
    assert torch.allclose(found[:, 1], torch.tensor(-1.5).double())
    F.cross_entropy(found, torch.ones(7, dtype=torch.long)).backward()
    assert all(bool(torch.isfinite(each.grad).all()) for each in net.parameters())


def made_pairs(count, seed):
    """Twenty directions seen through noise, each with a contrast of its own: the same two times, or two of them."""
    draw = np.random.default_rng(seed)
    directions = np.random.default_rng(99).normal(size=(20, 16))
    same = draw.integers(2, size=count)
    one = draw.integers(20, size=count)
    other = np.where(same, one, (one + draw.integers(1, 20, size=count)) % 20)
    images = np.stack([directions[one], directions[other]], axis=1) + 0.7 * draw.normal(size=(count, 2, 16))
    nuisance = (
        3 * draw.normal(size=(count, 2, 1)) * np.random.default_rng(98).normal(size=16)
    )  # of which the cosine of pixels knows nothing
    return torch.tensor((images + nuisance) * draw.uniform(0.5, 2, size=(count, 2, 1))).float(), torch.tensor(same)


def test_it_learns_to_tell_same_from_different():
    torch.set_num_threads(1)
    x, same = made_pairs(2000, 0)
    unseen, truth = made_pairs(1000, 1)
    rbm = hm.RBM(hm.Gaussian(16, variance=1.0), hm.NoisyReLU(60), hm.Dense(16, 60, scale=0.3, seed=0))
    net = hm.nets.siamese(rbm, biases=False)
    state = hm.fine_tune(net, x, same, validation=(unseen, truth), epochs=15, head_epochs=2, batch_size=50, seed=0, progress=False)
    assert state.history[-1]["train_error_percent"] < state.history[0]["train_error_percent"]
    right = (hm.predict(net, unseen).argmax(1) == truth).double().mean().item()
    before = hm.nets.siamese(rbm, biases=False)
    cosine = array(before(unseen)[:, 1])
    untuned = max(np.mean((cosine > level) == truth.numpy()) for level in np.linspace(-1, 1, 201))
    assert untuned < 0.75  # however well its threshold is chosen
    assert right > 0.85


def test_it_comes_back_from_its_file(tmp_path):
    net = head(hm.nets.siamese(stack(lambda: hm.Gaussian(6), lambda: hm.NoisyReLU(5)), biases=False), 4.0, -1.5)
    hm.save(net, tmp_path / "net.safetensors")
    again = hm.load(tmp_path / "net.safetensors")
    assert repr(again) == repr(net)
    assert torch.equal(again(pairs()), net(pairs()))


def test_bytes_mean_what_they_mean_to_the_stack():
    rbm = hm.RBM(hm.Bernoulli(6, values="probabilities"), hm.Bernoulli(5))
    grey = torch.randint(0, 256, (4, 2, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    net = hm.nets.siamese(rbm)
    torch.testing.assert_close(net(grey), net(grey / 255))
    torch.testing.assert_close(hm.predict(net, grey), net(grey / 255).detach())


def test_what_is_no_pair_of_images_is_refused():
    net = hm.nets.siamese(hm.RBM(hm.Gaussian(6), hm.NoisyReLU(5)))
    tune = {"epochs": 1, "progress": False}
    with pytest.raises(ValueError, match=r"expected inputs of shape \(cases, 2, 6\), at least one case, found \(4, 12\)"):
        hm.fine_tune(net, torch.zeros(4, 12), torch.zeros(4, dtype=torch.long), **tune)
    with pytest.raises(ValueError, match="expected labels from 0 to 1, found 2"):
        hm.fine_tune(net, torch.zeros(4, 2, 6), torch.tensor([0, 1, 2, 0]), **tune)
    with pytest.raises(TypeError, match="from dense and low-rank couplings, found Convolutional"):
        hm.nets.siamese(hm.RBM(hm.Bernoulli((1, 4, 4)), hm.Bernoulli((2, 3, 3)), hm.Convolutional((1, 4, 4), 2, kernel=(2, 2))))
    with pytest.raises(TypeError, match=r"from an hm\.DBN or an hm\.RBM, found Linear"):
        hm.nets.siamese(torch.nn.Linear(2, 2))


def test_a_wrong_shape_is_answered_with_that_of_pairs() -> None:
    net = hm.nets.siamese(hm.RBM(4, 3))
    with pytest.raises(ValueError, match=r"expected inputs of shape \(cases, 2, 4\), at least one case, found \(6, 4\)"):
        hm.fine_tune(net, torch.zeros(6, 4), torch.arange(6) % 2, progress=False)
