"""Autoencoders unrolled from stacks: against NumPy, the stack's own passes, SciPy's distributions and PCA."""

import itertools
from functools import partial

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.decomposition import PCA

import harmonium as hm
from harmonium.nets import ReconstructionLoss
from tests.models.machines import close
from tests.nets.test_classifier import array, sigmoid, stack

BITS = np.random.default_rng(1).integers(2, size=(7, 6)).astype(float)
PAIRS = np.eye(3)[np.random.default_rng(2).integers(3, size=(7, 2))].reshape(7, 6)
COUNTS = np.random.default_rng(3).integers(4, size=(7, 6)).astype(float)
REAL = np.random.default_rng(4).normal(size=(7, 6))
DRAW = np.random.default_rng(5)


def softmax(x):
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


# units, data that they take, the means of their total inputs
BOTTOMS = {
    "bernoulli": (lambda: hm.Bernoulli(6), BITS, sigmoid),
    "image": (lambda: hm.Bernoulli((2, 3)), BITS, sigmoid),
    "spin": (lambda: hm.Spin(6), 2 * BITS - 1, np.tanh),
    "gaussian": (lambda: hm.Gaussian(6), REAL, lambda x: x),
    "binomial": (lambda: hm.Binomial(6, copies=3), COUNTS, lambda x: 3 * sigmoid(x)),
    "poisson": (lambda: hm.Poisson(6), COUNTS, np.exp),
    "softmax": (lambda: hm.Softmax(2, categories=3), PAIRS, lambda x: softmax(x.reshape(-1, 2, 3)).reshape(-1, 6)),
    "groups": (
        lambda: hm.Groups(hm.Gaussian(3), hm.Softmax(1, categories=3)),
        np.hstack([REAL[:, :3], PAIRS[:, :3]]),
        lambda x: np.hstack([x[:, :3], softmax(x[:, 3:])]),
    ),
}


def biases(unit):
    """The biases of a layer of one kind or of groups."""
    parts = unit.parts if isinstance(unit, hm.Groups) else [unit]
    return np.concatenate([np.broadcast_to(array(part.bias), part.shape).ravel() for part in parts])


def precisions(unit):
    """1 / σ² of each unit; 1 where there is none."""
    parts = unit.parts if isinstance(unit, hm.Groups) else [unit]
    scales = [array(part.log_variance.exp()) if isinstance(part, hm.Gaussian) else np.ones(part.shape) for part in parts]
    return 1 / np.concatenate([np.broadcast_to(scale, part.shape).ravel() for scale, part in zip(scales, parts, strict=True)])


@pytest.mark.parametrize("code", ["gaussian", "bernoulli"])
@pytest.mark.parametrize("bottom", BOTTOMS)
def test_up_and_down_again(bottom, code):
    """Three layers: recognition weights with hidden biases, then the transposes with visible biases."""
    make, x, mean = BOTTOMS[bottom]
    dbn = stack(make, lambda: hm.Bernoulli(5), lambda: hm.Spin(4), lambda: hm.Gaussian(2) if code == "gaussian" else hm.Bernoulli(2))
    net = hm.nets.autoencoder(dbn)
    first, second, third = dbn.rbms
    weights = [array(rbm.coupling.weight) for rbm in dbn.rbms]
    h = sigmoid(x * precisions(first.visible) @ weights[0] + array(first.hidden.bias))
    h = np.tanh(h @ weights[1] + array(second.hidden.bias))
    h = h @ weights[2] + array(third.hidden.bias)
    expected = h if code == "gaussian" else sigmoid(h)
    close(net.encode(torch.tensor(x)), expected, 1e-10)
    down = expected / array(third.hidden.log_variance.exp()) if code == "gaussian" else expected
    down = np.tanh(down @ weights[2].T + array(third.visible.bias))
    down = sigmoid(down @ weights[1].T + array(second.visible.bias))
    down = down @ weights[0].T + biases(first.visible)
    close(net(torch.tensor(x)), down, 1e-10)
    close(net.decode(torch.tensor(expected)), mean(down), 1e-10)
    close(net.reconstruct(torch.tensor(x)), mean(down), 1e-10)
    assert hm.predict(net.encoder, torch.tensor(x)).shape == (7, 2)


@pytest.mark.parametrize("bottom", BOTTOMS)
def test_one_machine_gives_its_one_step_reconstruction(bottom):
    make, x, _ = BOTTOMS[bottom]
    dbn = stack(make, lambda: hm.Gaussian(4))
    rbm, data = dbn.top, torch.tensor(x)
    expected = rbm.visible_mean(rbm.hidden_mean(data.reshape(-1, *rbm.visible.shape))).flatten(1)
    close(hm.nets.autoencoder(rbm).reconstruct(data), array(expected), 1e-10)
    close(hm.nets.autoencoder(dbn).reconstruct(data), array(expected), 1e-10)


@pytest.mark.parametrize("middle", [lambda: hm.Bernoulli(5), lambda: hm.NoisyReLU(5), lambda: hm.Gaussian(5, bias_shape=(1,))])
def test_a_stack_gives_its_own_passes_by_means(middle):
    dbn = stack(lambda: hm.Bernoulli(6), middle, lambda: hm.Bernoulli(4))
    data, rectified = torch.tensor(BITS), isinstance(middle(), hm.NoisyReLU)
    net = hm.nets.autoencoder(dbn)
    if rectified:  # their means have noise in them: without it they are max(0, x)
        first, second = dbn.rbms
        h = np.maximum(BITS @ array(first.coupling.weight) + array(first.hidden.bias), 0)
        top = sigmoid(h @ array(second.coupling.weight) + array(second.hidden.bias))
        h = np.maximum(top @ array(second.coupling.weight).T + array(second.visible.bias), 0)
        close(net.reconstruct(data), sigmoid(h @ array(first.coupling.weight).T + array(first.visible.bias)), 1e-10)
    else:
        expected = dbn.down(dbn.top.visible_mean(dbn.top.hidden_mean(dbn.up(data))))
        close(net.reconstruct(data), array(expected), 1e-10)


def test_an_untied_stack_goes_down_by_its_generative_weights_and_labels_are_left_out():
    joint = hm.RBM(hm.Groups(hm.Bernoulli(4), hm.Softmax(1, categories=3)), hm.Bernoulli(5), hm.Dense(7, 5, scale=1.0))
    dbn = hm.DBN([hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), hm.Dense(6, 4, scale=1.0)), joint], labels=True).untie()
    dbn.generative[0].coupling.weight.data.mul_(-2)
    x = torch.rand(8, 6, generator=torch.Generator().manual_seed(0))
    net = hm.nets.autoencoder(dbn)
    top = dbn.top.hidden_mean(torch.cat([dbn.up(x), torch.zeros(8, 3)], dim=1))
    torch.testing.assert_close(net.encode(x), top)
    torch.testing.assert_close(net.reconstruct(x), dbn.down(dbn.top.visible_mean(top)[:, :4]))


def test_documents_are_words_of_one_softmax():
    rbm = hm.RBM(hm.ReplicatedSoftmax(4), hm.Bernoulli(3)).double()
    rbm.coupling.weight.data = torch.tensor(DRAW.normal(size=(5, 3)))
    rbm.visible.bias.data = torch.tensor(DRAW.normal(size=4))
    counts = torch.tensor([[1, 0, 2, 0], [0, 5, 0, 3]], dtype=torch.float64)
    net = hm.nets.autoencoder(rbm)
    words = rbm.visible_mean(rbm.hidden_mean(counts), hm.Given(length=torch.ones(2)))
    close(net.reconstruct(counts), array(words), 1e-10)
    close(net.loss.each(net(counts), counts), -(counts.numpy() * np.log(array(words))).sum(1), 1e-10)
    with pytest.raises(TypeError, match="no common squared error"):
        net.squared_error  # noqa: B018


def log_p(kind, x, v):
    """SciPy's log-probability of states v for total inputs x, (cases,), up to what does not depend on x."""
    found = {
        "bernoulli": lambda: stats.bernoulli.logpmf(v, sigmoid(x)),
        "spin": lambda: stats.bernoulli.logpmf((v + 1) / 2, sigmoid(2 * x)),
        "gaussian": lambda: stats.norm.logpdf(v, x, np.sqrt(0.5)),
        "binomial": lambda: stats.binom.logpmf(v, 3, sigmoid(x)),
        "poisson": lambda: stats.poisson.logpmf(v, np.exp(x)),
        "softmax": lambda: stats.multinomial.logpmf(v.reshape(-1, 2, 3), 1, softmax(x.reshape(-1, 2, 3))),
    }[kind]
    return found().sum(1)


@pytest.mark.parametrize("kind", ["bernoulli", "spin", "gaussian", "binomial", "poisson", "softmax"])
def test_losses_are_those_of_the_distributions(kind):
    make, v, mean = BOTTOMS[kind]
    loss, (x, other) = ReconstructionLoss(make()), DRAW.normal(size=(2, 7, 6))
    found = loss.each(torch.tensor(x), torch.tensor(v)) - loss.each(torch.tensor(other), torch.tensor(v))
    close(found, log_p(kind, other, v) - log_p(kind, x, v), 1e-10)
    squared = ReconstructionLoss(make(), squared=True)(torch.tensor(x), torch.tensor(v))
    close(squared, ((mean(x) - v) ** 2).sum(1).mean(), 1e-10)


def test_losses_of_grey_levels_and_of_groups():
    grey, x = torch.tensor([[0, 51, 255]], dtype=torch.uint8), torch.tensor([[0.3, -1.0, 2.0]], dtype=torch.float64)
    p, v = sigmoid(x.numpy()), np.array([[0.0, 0.2, 1.0]])
    cross_entropy = -(v * np.log(p) + (1 - v) * np.log(1 - p)).sum()
    close(ReconstructionLoss(hm.Bernoulli(3, values="probabilities"))(x, grey), cross_entropy, 1e-10)
    mixed = ReconstructionLoss(hm.Groups(hm.Gaussian(1), hm.Bernoulli(2)))
    close(mixed(x, torch.tensor([[2.0, 0.0, 1.0]])), (0.3 - 2) ** 2 - np.log(1 - p[0, 1]) - np.log(p[0, 2]), 1e-10)


def of_grey_levels(*sizes, code=hm.Gaussian, dtype=torch.float32):
    """An autoencoder of grey digits, whose stack has hardly learnt."""
    images = hm.data.digits.load().train_images[:200]
    layers = [hm.Bernoulli(64, values="probabilities"), *map(hm.Bernoulli, sizes[:-1]), code(sizes[-1])]
    dbn = hm.DBN([hm.RBM(a, b, hm.Dense(a.shape, b.shape, scale=0.1, seed=1)) for a, b in itertools.pairwise(layers)])
    return hm.nets.autoencoder(dbn).to(dtype), images


def tuned(net, inputs, targets, **settings):
    usual = {"epochs": 3, "optimizer": partial(torch.optim.Adam, lr=0.01), "loss": net.loss, "progress": False}
    state = hm.fine_tune(net, inputs, targets, **{**usual, **settings})
    return torch.cat([parameter.detach().flatten() for parameter in net.parameters()]), state


def test_bytes_are_targets_as_they_are_inputs():
    """Grey levels, and the same as floats: to the last bit, validation included."""
    found = []
    for convert in (lambda x: x, lambda x: x.float() / 255):
        net, images = of_grey_levels(20, 3)
        rows = convert(images)
        found.append(tuned(net, rows[:150], rows[:150], validation=(rows[150:], rows[150:])))
    assert torch.equal(found[0][0], found[1][0])
    first, last = found[0][1].history[0], found[0][1].history[-1]
    assert last["train_loss"] < first["train_loss"]
    assert "train_error_percent" not in last
    best = min(row["validation_loss"] for row in found[0][1].history)
    v, p = images[150:].numpy() / 255, net.reconstruct(images[150:]).detach().double().numpy()
    assert -(v * np.log(p) + (1 - v) * np.log(1 - p)).sum(1).mean() == pytest.approx(best, rel=1e-5)


def test_noisy_inputs_have_clean_targets():
    net, images = of_grey_levels(20, 5)
    noisy = images * (torch.rand(images.shape, generator=torch.Generator().manual_seed(0)) < 0.8)
    _, state = tuned(net, noisy, images, epochs=10)
    assert state.history[-1]["train_loss"] < state.history[0]["train_loss"]


def test_a_row_of_weight_two_is_the_row_twice():
    weights = torch.tensor(np.random.default_rng(0).integers(0, 3, 200))
    net, images = of_grey_levels(20, 3, dtype=torch.float64)
    found, state = tuned(net, images, images, sample_weight=weights, batch_size=1000)
    again, rows = of_grey_levels(20, 3, dtype=torch.float64)[0], images.repeat_interleave(weights, 0)
    expected, repeated = tuned(again, rows, rows, batch_size=1000)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    assert state.history[-1]["train_loss"] == pytest.approx(repeated.history[-1]["train_loss"], rel=1e-9)


def test_products_in_bfloat16_learn_nearly_the_same():
    """float32 parameters; the loss itself is never of rounded outputs."""
    losses = {}
    for precision in ("float32", "bfloat16"):
        net, images = of_grey_levels(30, 5)
        parameters, state = tuned(net, images, images, epochs=10, precision=precision)
        assert parameters.dtype == torch.float32
        losses[precision] = state.history[-1]["train_loss"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.02)
    assert losses["bfloat16"] != losses["float32"]


def test_an_interrupted_training_goes_on_to_the_same_bits(tmp_path):
    whole, images = of_grey_levels(10, 3)
    expected, _ = tuned(whole, images, images, epochs=4)
    for epochs in (2, 4):
        net, _ = of_grey_levels(10, 3)
        found, _ = tuned(net, images, images, epochs=epochs, checkpoint=tmp_path / "state.safetensors")
    assert torch.equal(found, expected)


@pytest.mark.parametrize("code", [hm.Gaussian, hm.Bernoulli])
def test_an_autoencoder_comes_back_from_its_file(tmp_path, code):
    net, images = of_grey_levels(10, 3, code=code)
    tuned(net, images, images)
    hm.save(net, tmp_path / "net.safetensors")
    before = torch.get_rng_state()
    again = hm.load(tmp_path / "net.safetensors")
    assert torch.equal(before, torch.get_rng_state())
    assert repr(again) == repr(net)
    assert not again.training
    assert not again.encoder.training
    assert torch.equal(again.reconstruct(images), net.reconstruct(images))  # bytes as levels / 255
    assert torch.equal(hm.predict(again.encoder, images), net.encode(images))
    assert repr(again.visible) == repr(net.visible)
    net.encoder[1].register_forward_hook(lambda module, inputs, output: 2 * output)
    with pytest.raises(TypeError, match=r"do not hold the forward hooks of 'encoder\.0'"):
        hm.save(net, tmp_path / "net.safetensors")


def test_linear_layers_find_the_error_of_pca():
    """Squared error through a narrow linear code has no better minimum (Baldi & Hornik 1989), and no other local one."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(200, 8)) @ np.diag([3, 2.5, 2, 1, 0.8, 0.6, 0.4, 0.2]) @ np.linalg.qr(draw.normal(size=(8, 8)))[0] + 1
    pca = PCA(3).fit(x)
    least = ((pca.inverse_transform(pca.transform(x)) - x) ** 2).sum(1).mean()
    rbm = hm.RBM(hm.Gaussian(8), hm.Gaussian(3), hm.Dense(8, 3, scale=0.3)).double()
    net, rows = hm.nets.autoencoder(rbm), torch.tensor(x)
    falling = partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=400)
    tuned(net, rows, rows, epochs=400, batch_size=200, optimizer=partial(torch.optim.Adam, lr=0.1), schedule=falling)
    error = ((net.reconstruct(rows).detach().numpy() - x) ** 2).sum(1).mean()
    assert least - 1e-9 < error < least * (1 + 1e-6)
    assert net.squared_error(net(rows), rows).item() == pytest.approx(error)


def test_arrays_and_frames_are_data_of_its_methods():
    pandas = pytest.importorskip("pandas")
    net, images = of_grey_levels(10, 3)
    grey = images.float() / 255
    with torch.no_grad():
        code, back = net.encode(grey), net.reconstruct(grey)
        for given in (images, images.numpy(), grey.double().numpy(), pandas.DataFrame(grey.numpy())):
            torch.testing.assert_close(net.encode(given), code)
            torch.testing.assert_close(net.reconstruct(given), back)
        torch.testing.assert_close(net.decode(code.double().numpy()), back)
        torch.testing.assert_close(net.squared_error(net(grey), images.numpy()), net.squared_error(net(grey), grey))
    with pytest.raises(ValueError, match="expect finite numbers"):
        net.encode(np.full((2, images.shape[1]), np.nan))


def test_a_low_rank_machine_reconstructs_as_itself():
    rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), hm.LowRank(6, 4, rank=2, seed=1))
    v = torch.eye(6)
    with torch.no_grad():
        torch.testing.assert_close(hm.nets.autoencoder(rbm).reconstruct(v), rbm.visible_mean(rbm.hidden_mean(v)))


def test_an_exported_autoencoder_gives_the_same():
    net, images = of_grey_levels(10, 3)
    rows = images.float() / 255
    exported = torch.export.export(net.eval(), (rows[:5],), dynamic_shapes=({0: torch.export.Dim("cases", min=1)},))
    torch.testing.assert_close(exported.module()(rows), net(rows))


def test_what_cannot_be_an_autoencoder_is_refused():
    with pytest.raises(TypeError, match=r"unrolled from an hm\.DBN or an hm\.RBM, found Dense"):
        hm.nets.autoencoder(hm.Dense(3, 2))
    with pytest.raises(TypeError, match="found Exponential: no loss is known"):
        hm.nets.autoencoder(hm.RBM(hm.Exponential(3), hm.Bernoulli(2)))
    kernels = hm.Convolutional((1, 4, 4), 2, kernel=2)
    with pytest.raises(TypeError, match="from dense and low-rank couplings, found Convolutional"):
        hm.nets.autoencoder(hm.RBM(hm.Bernoulli((1, 4, 4)), hm.Bernoulli(kernels.hidden), kernels))
    with pytest.raises(TypeError, match="Softmax hidden"):
        hm.nets.autoencoder(hm.RBM(hm.Bernoulli(3), hm.Softmax(2, categories=2)))
    with pytest.raises(ValueError, match=r"begins with harmonium\.nets\.Visible.*found Linear"):
        hm.nets.Autoencoder(torch.nn.Linear(3, 2), torch.nn.Linear(2, 3))


def test_what_is_wrong_with_targets_is_said_before_any_learning():
    net, images = of_grey_levels(10, 3)
    for targets, message in (
        (images[:, :60], r"of shape \(cases, 64\), found \(200, 60\)"),
        (torch.arange(200), r"of shape \(cases, 64\), found \(200,\)"),
        (images.float(), "found values from 0 to 255; grey levels must be declared"),
        (images[:100], "a target for each of 200 cases, found 100"),
        (torch.full((200, 64), float("nan")), "(?i)nan"),
    ):
        with pytest.raises(ValueError, match=message):
            tuned(net, images, targets)
    with pytest.raises(ValueError, match=r"give it loss=net\.loss"):
        hm.fine_tune(net, images, images, progress=False)
    bits = hm.nets.autoencoder(hm.RBM(hm.Bernoulli(64), hm.Bernoulli(5)))
    with pytest.raises(ValueError, match="Bernoulli units expect 0 or 1"):
        tuned(bits, (images > 127), images)
