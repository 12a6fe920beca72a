"""Convolutions against the dense matrix that they stand for, written out by loops."""

import itertools

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.couplings import Reduced, convolutional
from tests import oracle
from tests.couplings import checks
from tests.models.machines import close, parts

# visible, kernel, stride, padding, hidden positions
GEOMETRIES = [
    ((2, 7), 3, 1, 0, (5,)),
    ((2, 8), (3,), 2, 1, (4,)),  # a remainder of one
    ((1, 9), 2, 4, 0, (2,)),  # of three
    ((1, 5), 2, 3, (3,), (4,)),  # more padding than kernel
    ((3, 4), 4, 1, 0, (1,)),
    ((1, 5, 4), (3, 2), (1, 2), (0, 1), (3, 3)),
    ((2, 6, 5), 2, (3, 2), 0, (2, 2)),  # remainders of one in both
    ((2, 7, 8), (2, 3), (3, 4), (1, 2), (3, 3)),
    ((1, 3, 3), 5, 2, 1, (1, 1)),  # as large as the padded image
    ((17, 7), 3, 2, 1, (4,)),  # channels for more than one vector
    ((16, 4, 5), (3, 2), (1, 2), (0, 1), (2, 3)),
]
CHANNELS = 3


def made(geometry, seed=0):
    visible, kernel, stride, padding, _ = geometry
    return checks.randomised(hm.Convolutional(visible, CHANNELS, kernel=kernel, stride=stride, padding=padding), seed)


def spelt_out(weight, visible, hidden, stride, padding):
    """The matrix (visible size, hidden size) of a kernel (K, C, *kernel), entry by entry; stride and padding for each axis."""
    matrix = np.zeros((*visible, *hidden))
    for k, c in np.ndindex(hidden[0], visible[0]):
        for position, offset in itertools.product(np.ndindex(*hidden[1:]), np.ndindex(*weight.shape[2:])):
            place = tuple(s * p + u - pad for s, p, u, pad in zip(stride, position, offset, padding, strict=True))
            if all(0 <= x < size for x, size in zip(place, visible[1:], strict=True)):
                matrix[(c, *place, k, *position)] += weight[(k, c, *offset)]
    return matrix.reshape(np.prod(visible), np.prod(hidden))


def matrix_of(coupling, geometry):
    visible, _, stride, padding, positions = geometry
    axes = len(visible) - 1
    stride, padding = ((x,) * axes if isinstance(x, int) else x for x in (stride, padding))
    return spelt_out(coupling.weight.detach().numpy(), visible, (CHANNELS, *positions), stride, padding)


@pytest.mark.parametrize("leading", checks.LEADING)
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_inputs_interaction_and_gradient(geometry, leading):
    coupling = made(geometry)
    assert coupling.hidden == (CHANNELS, *geometry[4])
    checks.is_bilinear_in(coupling, matrix_of(coupling, geometry), leading)
    checks.has_the_gradient_of_its_interaction(coupling, leading)


@pytest.mark.parametrize("geometry", GEOMETRIES[5:])
def test_products_in_bfloat16_are_those_of_the_rounded_factors(geometry):
    """In float64: the matrix written out by loops, and the gradient of the interaction; what is left are roundings of results."""
    exact, coupling = made(geometry), made(geometry).float()
    s_v, s_h, _ = (each.bfloat16().double() for each in checks.statistics(coupling, (50,)))
    exact.weight.data = exact.weight.bfloat16().double()
    with torch.no_grad(), Reduced():
        up, down = coupling.to_hidden(s_v.float()), coupling.to_visible(s_h.float())
        for states, scale in ((s_h, 0.5), (s_h.roll(1, 0), -0.25)):
            coupling.accumulate_gradient(s_v.float(), states.float(), weights=torch.full((50,), 2.0), scale=scale, fresh=scale > 0)
    assert up.dtype == down.dtype == torch.float32
    matrix = torch.tensor(matrix_of(exact, geometry))
    torch.testing.assert_close(up.double().flatten(1), s_v.flatten(1) @ matrix, rtol=2**-8, atol=1e-5)
    most = (s_h.flatten(1).abs() @ matrix.abs().T).max().item()
    torch.testing.assert_close(down.double().flatten(1), s_h.flatten(1) @ matrix.T, rtol=2**-8, atol=2**-8 * most)  # adds rounded products
    assert (up - coupling.to_hidden(s_v.float())).abs().max() > 1e-3  # the context does change it
    (expected,) = torch.autograd.grad(-exact.interaction(s_v, s_h - 0.5 * s_h.roll(1, 0)).sum(), exact.weight)
    torch.testing.assert_close(coupling.weight.grad.double(), expected, rtol=2**-8, atol=2**-7)


def test_many_images_go_through_a_few_at_a_time(monkeypatch):
    """In pieces the inputs of the visible layer are the same."""
    coupling = made(GEOMETRIES[7])
    s_h = checks.statistics(coupling, (7,))[1]
    expected = coupling.to_visible(s_h)
    sent = coupling.weight[0].numel() * s_h[0, 0].numel()
    monkeypatch.setattr(convolutional, "AT_ONCE", 2 * sent)  # of seven, two at a time
    close(coupling.to_visible(s_h), expected, 1e-12)


def test_up_and_down_are_transposes_whatever_the_remainder():
    draw, remainders = np.random.default_rng(0), set()
    for size, kernel, stride, padding in itertools.product(range(1, 8), range(1, 6), range(1, 5), range(4)):
        if kernel > size + 2 * padding:
            continue
        coupling = hm.Convolutional((1, size), 1, kernel=kernel, stride=stride, padding=padding).double()
        s_v, s_h = (torch.tensor(draw.normal(size=shape)) for shape in (coupling.visible, coupling.hidden))
        up, down = (coupling.to_hidden(s_v) * s_h).sum(), (coupling.to_visible(s_h) * s_v).sum()
        assert up.item() == pytest.approx(down.item(), abs=1e-14)
        remainders.add((size + 2 * padding - kernel) % stride)
    assert remainders == {0, 1, 2, 3}


def layer(kind, shape, shared):
    bias_shape = (shape[0], *[1] * (len(shape) - 1)) if shared else None
    if kind == "bernoulli":
        return hm.Bernoulli(shape, bias_shape=bias_shape)
    return hm.Gaussian(shape, bias_shape=bias_shape, variance_shape=bias_shape, learn_variance=True)


@pytest.mark.parametrize("leading", checks.LEADING)
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(("visible", "hidden"), [("bernoulli", "bernoulli"), ("gaussian", "bernoulli"), ("bernoulli", "gaussian")])
def test_in_a_machine(visible, hidden, shared, leading):
    for geometry in (GEOMETRIES[1], GEOMETRIES[7]):
        coupling = made(geometry)
        v, h = layer(visible, coupling.visible, shared), layer(hidden, coupling.hidden, shared)
        rbm = checks.machine(v, h, coupling, size=0.3)
        assert v.bias.numel() == (coupling.visible[0] if shared else np.prod(coupling.visible))
        cases = checks.states(v, leading)
        checks.has_the_gradient_of_its_free_energy(rbm, cases)
        checks.obeys_bayes(rbm, cases, checks.states(h, leading))


@pytest.mark.parametrize("shared", [True, False])
def test_free_energy_and_log_z_against_enumeration(shared):
    geometry = ((2, 4), 3, 2, 1, (2,))
    coupling = made(geometry)
    v, h = layer("bernoulli", coupling.visible, shared), layer("bernoulli", coupling.hidden, shared)
    rbm = checks.machine(v, h, coupling)
    plain = oracle.Machine(parts(v), parts(h), matrix_of(coupling, geometry))
    cases = checks.states(v, (5,))
    close(rbm.free_energy(cases), oracle.free_energy(plain, cases.flatten(1).numpy()))
    assert hm.likelihood.exact_log_z(rbm) == pytest.approx(oracle.log_z(plain), abs=1e-5)


@pytest.mark.parametrize("visible", [(2, 5), (2, 3, 4)])
def test_with_a_kernel_the_size_of_the_image_it_is_dense(visible):
    coupling = hm.Convolutional(visible, 4, kernel=visible[1:])
    assert coupling.hidden == (4, *[1] * (len(visible) - 1))
    convolution = checks.machine(hm.Bernoulli(visible), hm.Bernoulli(coupling.hidden), coupling)
    dense = checks.machine(hm.Bernoulli(visible), hm.Bernoulli(4), None)
    dense.coupling.weight.data = coupling.weight.data.reshape(4, -1).T.contiguous()
    dense.visible.bias.data, dense.hidden.bias.data = convolution.visible.bias.data, convolution.hidden.bias.data.flatten()
    cases = checks.states(dense.visible, (6,))
    close(convolution.free_energy(cases), dense.free_energy(cases), 1e-12)
    close(convolution.hidden_mean(cases).flatten(1), dense.hidden_mean(cases), 1e-12)
    for rbm in (convolution, dense):
        rbm.accumulate_gradient(rbm.infer(cases))
    close(coupling.weight.grad.reshape(4, -1).T, dense.coupling.weight.grad, 1e-12)


@pytest.mark.parametrize("shift", [(2, 1), (0, 3), (4, 0)])
def test_translating_the_input_translates_the_hidden_layer(shift):
    coupling = hm.Convolutional((2, 10, 11), 3, kernel=(3, 2))
    visible = hm.Bernoulli(coupling.visible, bias_shape=(2, 1, 1))
    rbm = checks.machine(visible, hm.Bernoulli(coupling.hidden, bias_shape=(3, 1, 1)), coupling)
    v = checks.states(visible, (4,))
    down, right = shift
    mean, moved = rbm.hidden_mean(v), rbm.hidden_mean(v.roll(shift, dims=(-2, -1)))
    height, width = mean.shape[-2:]
    close(moved[..., down:, right:], mean[..., : height - down, : width - right], 1e-12)
    per_position = checks.machine(hm.Bernoulli(coupling.visible), hm.Bernoulli(coupling.hidden), coupling)
    mean, moved = per_position.hidden_mean(v), per_position.hidden_mean(v.roll(shift, dims=(-2, -1)))
    assert (moved[..., down:, right:] - mean[..., : height - down, : width - right]).abs().max() > 0.1


@pytest.mark.parametrize(
    ("visible", "channels", "settings", "message"),
    [
        ((1, 4, 4), 2, {"kernel": 5}, r"fit into the padded image: expected at most \(4, 4\), found \(5, 5\)"),
        ((1, 4, 4), 2, {"kernel": (3, 7), "padding": (0, 1)}, r"at most \(4, 6\), found \(3, 7\)"),
        ((1, 4), 2, {"kernel": 9, "padding": 2}, r"at most \(8,\), found \(9,\)"),
        ((4,), 2, {"kernel": 1}, r"\(C, length\) or \(C, height, width\), found \(4,\)"),
        ((1, 2, 3, 4), 2, {"kernel": 1}, r"\(C, length\) or"),
        ((1, 4, 4), 0, {"kernel": 1}, "at least one hidden channel, found 0"),
        ((1, 4, 4), 2, {"kernel": 0}, "the kernel of a convolution is a number of at least 1, or 2 of them, found 0"),
        ((1, 4, 4), 2, {"kernel": 2, "stride": (1, 0)}, "the stride of a convolution"),
        ((1, 4, 4), 2, {"kernel": 2, "padding": -1}, "the padding of a convolution is a number of at least 0"),
        ((1, 4, 4), 2, {"kernel": (2, 2, 2)}, "the kernel of a convolution"),
    ],
)
def test_what_is_no_convolution_is_refused(visible, channels, settings, message):
    with pytest.raises(ValueError, match=message):
        hm.Convolutional(visible, channels, **settings)


def test_weights_are_drawn_as_a_dense_couplings():
    weight = hm.Convolutional((3, 30, 30), 40, kernel=20, seed=1).weight
    assert abs(weight.mean().item()) < 4 * 0.01 / np.sqrt(weight.numel())
    assert weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert torch.equal(weight, hm.Convolutional((3, 30, 30), 40, kernel=20, seed=1).weight)
    assert not torch.equal(weight, hm.Convolutional((3, 30, 30), 40, kernel=20, seed=2).weight)
    assert not hm.Convolutional((1, 3), 2, kernel=2, scale=0.0).weight.any()


@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_learning_raises_the_exact_likelihood():
    """A pair of neighbours, on together, somewhere on a line: one shared kernel is all that it takes."""
    places = np.random.default_rng(0).integers(7, size=200)
    data = torch.zeros(200, 1, 8)
    for n, place in enumerate(places):
        data[n, 0, place : place + 2] = 1
    coupling = hm.Convolutional((1, 8), 3, kernel=4, padding=2, scale=0.1)
    rbm = hm.RBM(hm.Bernoulli((1, 8), bias_shape=(1, 1)), hm.Bernoulli(coupling.hidden, bias_shape=(3, 1)), coupling)
    rbm.visible.init_from(data)

    def likelihood():
        return hm.likelihood.log_likelihood(rbm, data, log_z=hm.likelihood.exact_log_z(rbm)).mean().item()

    before = likelihood()
    hm.fit(
        rbm,
        data,
        epochs=50,
        batch_size=20,
        negative=hm.PersistentCD(chains=50),
        optimizer=lambda groups: torch.optim.SGD(groups, lr=0.05, momentum=0.5),
        progress=False,
    )
    assert before == pytest.approx(-8 * (0.25 * np.log(4) + 0.75 * np.log(4 / 3)), abs=0.1)  # two of eight on, wherever they are
    assert likelihood() > -3.0


def test_saved_and_stacked_below_a_dense_layer(tmp_path):
    data = torch.tensor(np.random.default_rng(0).integers(2, size=(40, 1, 7, 6)), dtype=torch.float32)
    coupling = hm.Convolutional((1, 7, 6), 2, kernel=(3, 2), stride=2, padding=(0, 1), seed=1)
    assert coupling.hidden == (2, 3, 4)
    layers = [hm.Bernoulli((1, 7, 6), bias_shape=(1, 1, 1)), hm.Bernoulli((2, 3, 4), bias_shape=(2, 1, 1)), hm.Bernoulli(5)]
    dbn = hm.greedy(data, layers, couplings=[coupling, None], epochs=2, progress=False)
    assert dbn.rbms[0].coupling is coupling
    assert dbn.top.coupling.weight.shape == (24, 5)
    found = checks.round_trip(dbn.rbms[0], tmp_path / "rbm", data)
    assert found.coupling.arguments() == coupling.arguments()
    hm.save(dbn, tmp_path / "dbn")
    fantasies = [
        net.generate(3, steps=2, generator=torch.Generator().manual_seed(0), start=data[:3]) for net in (dbn, hm.load(tmp_path / "dbn"))
    ]
    assert fantasies[0].shape == (3, 1, 7, 6)
    assert torch.equal(*fantasies)


def test_a_stack_of_convolutions_with_pooling(tmp_path):
    data = torch.tensor(np.random.default_rng(0).integers(2, size=(40, 1, 8, 8)), dtype=torch.float32)
    first = hm.Convolutional((1, 8, 8), 3, kernel=3, scale=0.3, seed=1)
    pooled = hm.PooledBlocks(first.hidden, pool=(2, 2), bias_shape=(3, 1, 1))
    second = hm.Convolutional(pooled.output_shape, 4, kernel=2, scale=0.3, seed=2)
    layers = [hm.Bernoulli((1, 8, 8), bias_shape=(1, 1, 1)), pooled, hm.Bernoulli(second.hidden, bias_shape=(4, 1, 1)), hm.Bernoulli(5)]
    seen = []

    def train(rbm, rows, index):
        seen.append(rows)
        return hm.fit(rbm, rows, epochs=2, progress=False)

    dbn = hm.greedy(data, layers, couplings=[first, second, None], train=train)
    assert [tuple(rows.shape[1:]) for rows in seen] == [(1, 8, 8), (3, 3, 3), (4, 2, 2)]
    detection = dbn.rbms[0].hidden_mean(data)
    expected = sum(detection[..., row::2, column::2] for row in range(2) for column in range(2))
    torch.testing.assert_close(seen[1], expected.detach())
    hm.save(dbn, tmp_path / "dbn")
    found = hm.load(tmp_path / "dbn")
    checks.round_trip(dbn.rbms[0], tmp_path / "rbm", data)
    nets = [net.generate(3, steps=2, generator=torch.Generator().manual_seed(0)) for net in (dbn, found)]
    assert nets[0].shape == (3, 1, 8, 8)
    assert torch.equal(*nets)
