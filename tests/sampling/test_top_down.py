"""Top-down removal of noise against NumPy written out by hand and, for samples, against enumeration."""

import itertools

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.sampling import top_down
from tests.models.machines import close

CLASSES = 3


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def array(tensor):
    return tensor.detach().double().numpy()


def net(*sizes, labels=0, seed=0, scale=1.0, values="binary"):
    """A float64 belief net whose two directions have weights and biases of their own; `labels` beside the features under its top layer."""
    draw = np.random.default_rng([seed, *sizes])
    kinds = [hm.Bernoulli(sizes[0], values=values), *map(hm.Bernoulli, sizes[1:])]
    rbms = [hm.RBM(a, b) for a, b in itertools.pairwise(kinds)]
    if labels:
        rbms[-1] = hm.RBM(hm.Groups(hm.Bernoulli(sizes[-2]), hm.Softmax(1, categories=labels)), hm.Bernoulli(sizes[-1]))
    dbn = hm.DBN(rbms, labels=bool(labels))
    down = hm.DBN([hm.RBM(hm.Bernoulli(a), hm.Bernoulli(b)) for a, b in itertools.pairwise(sizes)])
    dbn.generative = down.generative
    dbn = dbn.double()
    for parameter in dbn.parameters():
        parameter.data = torch.tensor(scale * draw.normal(size=parameter.shape))
    return dbn


def sides(dbn):
    """Upward (weights, biases) and downward ones, and those of the top RBM, as arrays."""
    up = [(array(layer.coupling.weight), array(layer.unit.bias)) for layer in dbn.recognition]
    down = [(array(layer.coupling.weight), array(layer.unit.bias)) for layer in dbn.generative]
    visible = dbn.top.visible
    biases = [array(part.bias).reshape(-1) for part in visible.layers()] if isinstance(visible, hm.Groups) else [array(visible.bias)]
    return up, down, (array(dbn.top.coupling.weight), biases, array(dbn.top.hidden.bias))


def by_hand(dbn, v, schedule, *, sweeps=1, robust=None, ink=0.5):
    """The whole procedure by means: the first layer, its reconstruction and how clean each pixel is, of each step; the last top state."""
    up, down, (w_top, b_top, c_top) = sides(dbn)
    depth, labels = len(up), len(b_top) > 1
    y = softmax(np.tile(b_top[1], (len(v), 1))) if labels else np.zeros((len(v), 0))
    (w, c), b_own = up[0], down[1][1] if depth > 1 else b_top[0]
    x1, from_above = sigmoid(v @ w + c), 0.0
    found = []
    for number, (alpha, beta) in enumerate([(1.0, 0.0), *schedule]):
        if number:
            r, seen = np.ones_like(v), v
            if robust is not None:
                m = sigmoid(x1 @ down[0][0].T + down[0][1])
                p = m**v * (1 - m) ** (1 - v)
                r = (1 - robust) * p / ((1 - robust) * p + robust * ink**v * (1 - ink) ** (1 - v))
                seen = r * v + (1 - r) * m
            x1 = sigmoid(alpha * (seen @ w) + beta * from_above + (alpha * c + beta * b_own) / (alpha + beta))
            found.append((x1, sigmoid(x1 @ down[0][0].T + down[0][1]), r))
        x = x1
        for weight, bias in up[1:]:
            x = sigmoid(x @ weight + bias)
        recognised, n = x, x.shape[1]
        for _ in range(sweeps):
            h = sigmoid(np.concatenate([x, y], 1) @ w_top + c_top)
            back = h @ w_top.T
            x = sigmoid(back[:, :n] + b_top[0])
            if labels:
                y = softmax(back[:, n:] + b_top[1])
        if depth == 1:
            from_above = back[:, :n]
        else:
            for weight, bias in down[:1:-1]:
                x = sigmoid(x @ weight.T + bias)
            from_above = x @ down[1][0].T
    return *(np.stack(part) for part in zip(*found, strict=True)), np.concatenate([recognised, y], 1)


SCHEDULE = [(1.0, 0.0), (0.7, 0.4), (0.3, 0.6), (0.0, 1.3), (1.0, 1.0)]


@pytest.mark.parametrize("robust", [None, 0.1, 0.6])
@pytest.mark.parametrize("sweeps", [1, 3])
@pytest.mark.parametrize("labels", [0, CLASSES])
@pytest.mark.parametrize("sizes", [(6, 5, 4), (6, 5, 4, 3), (6, 5, 4, 3, 4), (6, 5, 4, 4, 3, 2)])
def test_means_are_those_written_out_by_hand(sizes, labels, sweeps, robust):
    dbn = net(*sizes, labels=labels)
    v = np.random.default_rng(1).integers(2, size=(7, 6)).astype(float)
    first, reconstruction, clean, top = by_hand(dbn, v, SCHEDULE, sweeps=sweeps, robust=robust)
    found = hm.sampling.remove_noise(dbn, torch.tensor(v), SCHEDULE, sweeps=sweeps, robust=robust)
    close(found.first, first, 1e-10)
    close(found.reconstruction, reconstruction, 1e-10)
    close(found.state.top, top, 1e-10)
    close(found.state.first, first[-1], 1e-10)
    if robust is None:
        assert found.clean is None
    else:
        close(found.clean, clean, 1e-10)
        assert clean.std() > 0.03


@pytest.mark.parametrize("ink", [0.05, 0.99])
def test_noise_may_be_known_to_be_ink_or_ground(ink):
    dbn = net(6, 5, 4, 3, labels=CLASSES)
    v = np.random.default_rng(1).integers(2, size=(7, 6)).astype(float)
    first, _, clean, _ = by_hand(dbn, v, SCHEDULE, robust=0.3, ink=ink)
    found = hm.sampling.remove_noise(dbn, torch.tensor(v), SCHEDULE, robust=0.3, ink=ink)
    close(found.first, first, 1e-10)
    close(found.clean, clean, 1e-10)


def test_grey_levels_are_probabilities():
    dbn = net(6, 5, 4, 3, values="probabilities")
    grey = np.random.default_rng(1).integers(256, size=(7, 6)).astype(np.uint8)
    expected = by_hand(dbn, grey / 255, SCHEDULE, robust=0.2, ink=0.9)
    found = hm.sampling.remove_noise(dbn, torch.tensor(grey), SCHEDULE, robust=0.2, ink=0.9)
    for mine, theirs in zip((found.first, found.reconstruction, found.clean, found.state.top), expected, strict=True):
        close(mine, theirs, 1e-10)


def test_bottom_up_alone_is_the_plain_up_pass_to_the_bit():
    dbn = net(6, 5, 4, 3)
    v = torch.tensor(np.random.default_rng(1).integers(2, size=(7, 6)).astype(float))
    found = hm.sampling.remove_noise(dbn, v, [(1, 0)] * 4)
    plain = dbn.up(v, layers=1)
    assert all(torch.equal(first, plain) for first in found.first)
    assert torch.equal(found.state.top, dbn.up(v))
    assert all(torch.equal(reconstruction, dbn.down(plain, layers=1)) for reconstruction in found.reconstruction)


@pytest.mark.parametrize("sizes", [(6, 5, 4), (6, 5, 4, 3)])
def test_top_down_alone_forgets_the_pixels(sizes):
    """Small weights make each step a contraction of the means, so that what all images come to is the same."""
    dbn = net(*sizes, labels=CLASSES, scale=0.5)
    v = torch.tensor(list(itertools.product((0.0, 1.0), repeat=6)), dtype=torch.float64)
    found = hm.sampling.remove_noise(dbn, v, [(1, 0), *[(0, 1)] * 60])
    spread = [float((first - first[0]).abs().max()) for first in found.first]
    assert spread[0] > 0.1
    assert spread[1] > 1e-4
    assert spread[-1] < 1e-10


def test_top_down_samples_forget_the_pixels():
    dbn = net(6, 5, 4, 3, labels=CLASSES, scale=0.7)
    n, means = 20_000, []
    for pixel, seed in ((0.0, 1), (1.0, 2)):
        v = torch.full((n, 6), pixel, dtype=torch.float64)
        state = hm.sampling.remove_noise(dbn, v, [(0, 1)] * 40, generator=torch.Generator().manual_seed(seed)).state
        means.append(array(state.first).mean(0))
    error = np.sqrt(sum(m * (1 - m) for m in means) / n)
    assert (np.abs(means[0] - means[1]) < 4 * error).all()


def bits(size):
    return np.array(list(itertools.product((0.0, 1.0), repeat=size)))


def bernoulli(states, p):
    return (p**states * (1 - p) ** (1 - states)).prod(-1)


@pytest.mark.parametrize("robust", [None, 0.3])
@pytest.mark.parametrize("sizes", [(3, 2, 2), (3, 2, 2, 2), (3, 2, 2, 2, 2)])
def test_samples_have_the_enumerated_mean(sizes, robust):
    """One step after the up-pass of one image, every layer drawn: E[x1] and the mean of the labels, within four standard errors."""
    dbn = net(*sizes, labels=CLASSES, scale=3.0)
    up, down, (w_top, b_top, c_top) = sides(dbn)
    alpha, beta, depth, v = 0.6, 0.7, len(up), np.array([1.0, 0.0, 1.0])
    pairs, eye, total = bits(2), np.eye(CLASSES), 0.0
    expected, expected_label = np.zeros(2), np.zeros(CLASSES)
    # p(x_{l+1} | x_l) upwards and p(x_l | x_{l+1}) downwards as tables; every hidden layer has two units.
    rise = [np.array([bernoulli(pairs, sigmoid(x @ w + c)) for x in pairs]) for w, c in up[1:]]
    fall = [np.array([bernoulli(pairs, sigmoid(x @ w.T + b)) for x in pairs]) for w, b in down[2:]]
    to_top, from_top = np.eye(4), np.eye(4)
    for table in rise:
        to_top = to_top @ table
    for table in fall[::-1]:
        from_top = from_top @ table
    prior_label = softmax(b_top[1])

    def sweep(x, y):
        """(probability, features' input, features' number, label) of all that one sweep may lead to."""
        for h in pairs:
            p_h = bernoulli(h, sigmoid(np.concatenate([x, y]) @ w_top + c_top))
            back = w_top @ h
            p_x, p_y = bernoulli(pairs, sigmoid(back[:2] + b_top[0])), softmax(back[2:] + b_top[1])
            for k, label in itertools.product(range(4), range(CLASSES)):
                yield p_h * p_x[k] * p_y[label], back[:2], k, label

    def next_first(x1, from_above):
        seen = v
        if robust is not None:
            m = sigmoid(x1 @ down[0][0].T + down[0][1])
            p = m**v * (1 - m) ** (1 - v)
            r = (1 - robust) * p / ((1 - robust) * p + robust / 2)
            seen = r * v + (1 - r) * m
        b_own = down[1][1] if depth > 1 else b_top[0]
        return sigmoid(alpha * (seen @ up[0][0]) + beta * from_above + (alpha * up[0][1] + beta * b_own) / (alpha + beta))

    labels_after = np.array([[sum(p * eye[b] for p, _, _, b in sweep(x, eye[a])) for a in range(CLASSES)] for x in pairs])
    p_first = bernoulli(pairs, sigmoid(v @ up[0][0] + up[0][1]))
    for i, j, a in itertools.product(range(4), range(4), range(CLASSES)):
        begun = p_first[i] * to_top[i, j] * prior_label[a]
        for p, back, k, label in sweep(pairs[j], eye[a]):
            inputs = [(1.0, back)] if depth == 1 else [(from_top[k, m], pairs[m] @ down[1][0].T) for m in range(4)]
            for q, from_above in inputs:
                mean = next_first(pairs[i], from_above)
                weight = begun * p * q
                total += weight
                expected += weight * mean
                expected_label += weight * (bernoulli(pairs, mean) @ to_top @ labels_after[:, label])
    assert total == pytest.approx(1, abs=1e-12)

    n = 40_000
    images = torch.tensor(v).expand(n, 3)
    found = hm.sampling.remove_noise(dbn, images, [(alpha, beta)], generator=torch.Generator().manual_seed(0), robust=robust)
    assert set(np.unique(found.first)) == {0.0, 1.0}
    assert (np.abs(array(found.first[0]).mean(0) - expected) < 4 * np.sqrt(expected * (1 - expected) / n)).all()
    sent = pairs @ (down[1][0].T if depth > 1 else w_top[:2].T)  # by states, not means, of the layer above
    assert np.abs(array(found.state.input)[:, None] - sent).max(-1).min(1).max() < 1e-12
    label = array(found.state.top)[:, 2:]
    assert (label.sum(1) == 1).all()
    assert (np.abs(label.mean(0) - expected_label) < 4 * np.sqrt(expected_label * (1 - expected_label) / n)).all()
    close(found.reconstruction, sigmoid(array(found.first) @ down[0][0].T + down[0][1]), 1e-12)


MEANS = {
    "gaussian": (lambda: hm.Gaussian(4), lambda x: x),
    "spin": (lambda: hm.Spin(4), np.tanh),
    "binomial": (lambda: hm.Binomial(4, copies=3), lambda x: 3 * sigmoid(x)),
    "softmax": (lambda: hm.Softmax(1, categories=4), softmax),
    "poisson": (lambda: hm.Poisson(4), np.exp),
    "groups": (lambda: hm.Groups(hm.Spin(2), hm.Bernoulli(2)), lambda x: np.concatenate([np.tanh(x[..., :2]), sigmoid(x[..., 2:])], -1)),
}


@pytest.mark.parametrize("kind", MEANS)
def test_layers_of_other_kinds_mix_likewise(kind):
    made, mean = MEANS[kind]
    dbn = hm.DBN([hm.RBM(hm.Bernoulli(6), made()), hm.RBM(made(), hm.Bernoulli(3)), hm.RBM(hm.Bernoulli(3), hm.Bernoulli(2))]).double()
    draw = np.random.default_rng(3)
    for name, parameter in dbn.named_parameters():
        if "log_variance" not in name:
            parameter.data = torch.tensor(0.5 * draw.normal(size=parameter.shape))

    def own(unit):
        return np.concatenate([own(part) for part in unit.layers()]) if isinstance(unit, hm.Groups) else array(unit.bias).reshape(-1)

    v = torch.tensor(draw.integers(2, size=(5, 6)).astype(float))
    state = top_down.init(dbn, v)
    x2 = array(dbn.top.visible_mean(dbn.top.hidden_mean(dbn.up(v))))
    below, above = dbn.recognition[0], dbn.generative[1]
    close(state.input, x2 @ array(above.coupling.weight).T, 1e-12)
    state, _ = top_down.step(dbn, state, bottom_up=0.3, top_down=0.6)
    total = 0.3 * array(v) @ array(below.coupling.weight) + 0.6 * x2 @ array(above.coupling.weight).T
    close(state.first, mean(total + (0.3 * own(below.unit) + 0.6 * own(above.unit)) / 0.9), 1e-12)


def test_variances_that_are_fixed_one_way_mix_too():
    """(1, 0) is the up-pass, (0, 1) the generative model's own conditional; in between the logarithms of the variances mix as biases do."""
    dbn = hm.DBN([hm.RBM(hm.Bernoulli(6), hm.Gaussian(4)), hm.RBM(hm.Gaussian(4), hm.Bernoulli(3))])
    up, down = dbn.recognition[0].unit, dbn.penultimate
    down.log_variance.data.fill_(np.log(16.0))
    for pair, variance in (((1, 0), 1.0), ((0, 1), 16.0), ((1, 1), 4.0)):
        unit = top_down._mixed(up, down, *pair)
        close(unit.variance(torch.zeros(1, 4)), np.full((1, 4), variance), 1e-5)
    close(up.log_variance, np.zeros(4), 0)


def test_images_of_maps_keep_their_shape():
    shape = (1, 6, 6)
    coupling = hm.Convolutional(shape, 2, kernel=3, scale=0.3, seed=1)
    bottom = hm.RBM(hm.Bernoulli(shape), hm.Bernoulli(coupling.hidden, bias_shape=(2, 1, 1)), coupling)
    top = hm.RBM(hm.Bernoulli(coupling.hidden, bias_shape=(2, 1, 1)), hm.Bernoulli(5), seed=2)
    v = torch.ones(3, *shape)
    found = hm.sampling.remove_noise(hm.DBN([bottom, top]), v, top_down.linear(4), robust=0.1)
    assert found.first.shape == (4, 3, *coupling.hidden)
    assert found.reconstruction.shape == found.clean.shape == (4, 3, *shape)
    back = top.visible_input(top.hidden_mean(bottom.hidden_mean(v)))
    close(top_down.init(hm.DBN([bottom, top]), v).input, back.detach(), 1e-6)


@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_a_patch_of_noise_is_found_and_removed():
    """A net that knows two patterns takes neither of them to have ink in its last four pixels."""
    patterns = torch.tensor([[1.0] * 8 + [0.0] * 8 + [0.0] * 4, [0.0] * 8 + [1.0] * 8 + [0.0] * 4])
    data = patterns.repeat(200, 1)
    dbn = hm.greedy(data, [hm.Bernoulli(20), hm.Bernoulli(12), hm.Bernoulli(8)], epochs=30, batch_size=20, seed=0, progress=False)
    noisy = patterns.clone()
    noisy[:, 16:] = 1
    found = hm.sampling.remove_noise(dbn, noisy, top_down.linear(10), robust=0.2)
    assert found.clean[-1][:, 16:].max() < 0.3
    assert found.clean[-1][:, :16].min() > 0.7
    assert (found.reconstruction[-1].round() == patterns).all()


def test_a_seed_repeats_and_no_global_one_is_touched():
    dbn = net(6, 5, 4, 3, labels=CLASSES).float()
    v = torch.ones(9, 6)
    before = torch.get_rng_state()
    one, two = (
        hm.sampling.remove_noise(dbn, v, top_down.linear(3), generator=torch.Generator().manual_seed(4), robust=0.1) for _ in range(2)
    )
    assert torch.equal(one.first, two.first)
    assert one.first.dtype == torch.float32
    assert not one.first.requires_grad
    assert torch.equal(torch.get_rng_state(), before)


def test_the_linear_schedule():
    assert top_down.linear(3) == [(1, 0), (0.5, 0.5), (0, 1)]
    np.testing.assert_allclose(top_down.linear(5, bottom_up=0.2, top_down=2.0), [(1, 0), (0.8, 0.5), (0.6, 1), (0.4, 1.5), (0.2, 2)])
    with pytest.raises(ValueError, match="at least two steps"):
        top_down.linear(1)


def gaussian_pixels():
    return hm.DBN([hm.RBM(hm.Gaussian(6), hm.Bernoulli(5)), hm.RBM(hm.Bernoulli(5), hm.Bernoulli(4))])


def two_kinds():
    return hm.DBN([hm.RBM(hm.Bernoulli(6), hm.Spin(5)), hm.RBM(hm.Gaussian(5), hm.Bernoulli(4))])


@pytest.mark.parametrize(
    ("dbn", "v", "schedule", "options", "message"),
    [
        (lambda: net(6, 5, 4), 1.0, [], {}, "at least one step"),
        (lambda: net(6, 5, 4), 1.0, [(0, 0)], {}, "not both zero"),
        (lambda: net(6, 5, 4), 1.0, [(1, -0.1)], {}, ">= 0"),
        (lambda: net(6, 5, 4), 1.0, [(1, float("nan"))], {}, "finite"),
        (lambda: net(6, 5, 4), 1.0, [(1, 0)], {"robust": 0.0}, "above 0 and below 1"),
        (lambda: net(6, 5, 4), 1.0, [(1, 0)], {"robust": 1.0}, "above 0 and below 1"),
        (lambda: net(6, 5, 4), 1.0, [(1, 0)], {"robust": 0.1, "ink": 1.0}, "above 0 and below 1"),
        (lambda: net(6, 5, 4), 1.0, [(1, 0)], {"sweeps": 0}, "at least one sweep"),
        (lambda: net(6, 5, 4), 0.5, [(1, 0)], {}, "expect 0 or 1, found 0.5"),
        (lambda: hm.DBN([hm.RBM(hm.Bernoulli(6), hm.Bernoulli(5))]), 1.0, [(1, 0)], {}, "one RBM"),
        (gaussian_pixels, 1.0, [(1, 0)], {"robust": 0.1}, "Bernoulli pixels"),
        (two_kinds, 1.0, [(1, 0)], {}, "one kind and shape in both directions"),
    ],
)
def test_what_cannot_be_done_is_refused(dbn, v, schedule, options, message):
    with pytest.raises(ValueError, match=message):
        hm.sampling.remove_noise(dbn(), torch.full((2, 6), v, dtype=torch.float64), schedule, **options)


def test_real_pixels_do_without_the_gate():
    found = hm.sampling.remove_noise(gaussian_pixels(), torch.full((2, 6), 1.5), top_down.linear(3))
    assert torch.isfinite(found.reconstruction).all()
