"""Every method of a model takes data of every form, and answers in kind: beside NumPy's own sums."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse

import harmonium as hm
from harmonium.models import label_log_probability

BITS = np.random.default_rng(0).integers(0, 2, (7, 6))
NUMBERS = ("bool", "uint8", "int8", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64", "longdouble", ">f4")


def generator():
    return torch.Generator().manual_seed(0)


def forms():
    """The same bits in every form."""
    yield from ((kind, BITS.astype(kind)) for kind in NUMBERS)
    yield "list", BITS.tolist()
    yield "list of arrays", list(BITS)
    yield "backwards", BITS[::-1][::-1]
    yield "objects", BITS.astype(object)
    frozen = BITS.astype(float)
    frozen.flags.writeable = False
    yield "read-only", frozen
    yield "csr", sparse.csr_array(BITS)
    yield "coo", sparse.coo_matrix(BITS)
    yield "pandas", pd.DataFrame(BITS, columns=list("abcdef"))
    yield "polars", pl.DataFrame(BITS, schema=list("abcdef"))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.fixture(scope="module")
def rbm():
    found = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), hm.Dense(6, 4, scale=1.0))
    with torch.no_grad():
        found.visible.bias.copy_(torch.linspace(-1, 1, 6))
        found.hidden.bias.copy_(torch.linspace(1, -1, 4))
    return found


def parameters(rbm):
    return (each.detach().numpy().astype(float) for each in (rbm.coupling.weight, rbm.visible.bias, rbm.hidden.bias))


@pytest.mark.parametrize(("name", "data"), list(forms()), ids=[name for name, _ in forms()])
def test_every_form_of_data_gives_the_same_numbers(rbm, name, data):
    w, b, c = parameters(rbm)
    input = BITS @ w + c
    mean = rbm.hidden_mean(data)
    assert isinstance(mean, np.ndarray)
    assert mean.dtype == np.float32
    np.testing.assert_allclose(mean, sigmoid(input), atol=1e-6)
    np.testing.assert_allclose(rbm.free_energy(data), -BITS @ b - np.logaddexp(0, input).sum(1), rtol=1e-5)
    np.testing.assert_allclose(
        rbm.energy(v=data, h=mean > 0.5), -BITS @ b - (mean > 0.5) @ c - ((BITS @ w) * (mean > 0.5)).sum(1), rtol=1e-5
    )
    expected = rbm.gibbs(torch.tensor(BITS, dtype=torch.float32), steps=3, generator=generator())
    np.testing.assert_array_equal(rbm.gibbs(data, steps=3, generator=generator()), expected.numpy())


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float16, torch.float64])
def test_tensors_of_every_type_are_answered_with_tensors_of_the_model_s_type(rbm, dtype):
    expected = rbm.hidden_mean(torch.tensor(BITS, dtype=torch.float32))
    found = rbm.hidden_mean(torch.tensor(BITS).to(dtype))
    assert torch.equal(found, expected)
    assert found.requires_grad  # gradients pass, as for floats
    double = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4)).double()
    assert double.hidden_mean(torch.tensor(BITS).to(dtype)).dtype == torch.float64
    assert double.hidden_mean(torch.zeros(2, 6)).dtype == torch.float64


def test_bytes_mean_what_the_units_say():
    grey = np.array([[0, 51, 255]], dtype=np.uint8)
    rbm = hm.RBM(hm.Bernoulli(3, values="probabilities"), hm.Bernoulli(2), hm.Dense(3, 2, scale=1.0))
    np.testing.assert_allclose(rbm.hidden_mean(grey), sigmoid(grey / 255 @ rbm.coupling.weight.detach().numpy()), atol=1e-6)
    with pytest.raises(ValueError, match="grey levels must be declared"):
        hm.RBM(3, 2).hidden_mean(grey)


def test_tensors_of_integers_are_converted_where_a_method_would_compute_with_them_too():
    """Their levels would count 255 times as much, and 3 would pass for a probability."""
    grey = torch.tensor([[0, 51, 255]], dtype=torch.uint8)
    rows, seen = grey / 255, hm.Bernoulli(3, values="probabilities")
    rbm = hm.RBM(seen, hm.Bernoulli(2), hm.Dense(3, 2, scale=1.0))
    net = hm.DBN([rbm, hm.RBM(2, 2)])
    dbm = hm.DBM([hm.Bernoulli(3, values="probabilities"), hm.Bernoulli(2), hm.Bernoulli(2)], [hm.Dense(3, 2, scale=1.0), None])
    hidden = [torch.ones(1, 2)] * 2
    methods = {
        "up": net.up,
        "machine_mean": rbm.machine_mean,
        "energy": lambda v: dbm.energy(v, hidden),
        "energy of integers above": lambda v: dbm.energy(v, [each.to(grey.dtype) if v.dtype == grey.dtype else each for each in hidden]),
        "energy by name": lambda v: dbm.energy(hidden=hidden, v=v),
        "no steps": lambda v: rbm.gibbs(v, steps=0, generator=generator()),
    }
    for name, method in methods.items():
        found, expected = method(grey), method(rows)
        assert found.dtype == torch.float32, name
        torch.testing.assert_close(found, expected, msg=name)
        with pytest.raises(ValueError, match="found values from 3 to 3"):
            method(torch.full((1, 3), 3))
    with pytest.raises(ValueError, match="found values from 3 to 3"):
        dbm.energy(rows, [torch.ones(1, 2), torch.full((1, 2), 3)])


def test_means_pass_as_they_do_in_tensors(rbm):
    w, b, _ = parameters(rbm)
    mean = rbm.hidden_mean(BITS)
    np.testing.assert_allclose(rbm.visible_mean(mean), sigmoid(mean @ w.T + b), atol=1e-6)
    assert rbm.sample_hidden(BITS[0], generator=generator()).shape == (4,)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (None, TypeError, "expected numbers.*found None$"),
        ("digits.csv", TypeError, "found 'digits.csv'$"),
        ({"a": 1}, TypeError, "found dict$"),
        (np.array([["a"] * 6]), TypeError, "found an array of <U1$"),
        (np.array([["a"] * 6], dtype=object), ValueError, "such as 'a' in row 0"),
        (np.zeros((2, 5)), ValueError, r"of shape \(\.\.\., 6\), found \(2, 5\)"),
        (torch.zeros(2, 5), ValueError, r"of shape \(\.\.\., 6\), found \(2, 5\)"),
        (np.full((2, 6), np.nan), ValueError, "12 NaN"),
        ([[1, 0], [1]], ValueError, "rows of one length"),
        (torch.full((2, 6), 3), ValueError, "expect 0 or 1, found values from 3 to 3"),
        (pd.DataFrame({"name": ["x"] * 3}), ValueError, "column 'name'"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, type | str) else "",
)
def test_what_is_no_data_is_refused_in_one_sentence(rbm, data, error, message):
    for method in (rbm.hidden_mean, rbm.free_energy, lambda v: rbm.gibbs(v, generator=generator())):
        with pytest.raises(error, match=message):
            method(data)


def test_errors_of_the_method_itself_pass(rbm):
    with pytest.raises(ValueError, match="no closed form"):
        rbm.free_energy(BITS, hm.Given(missing=BITS.astype(bool)))
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        rbm.hidden_mean()


def test_gaps_may_hold_anything(rbm):
    holed = np.where(BITS == 1, np.nan, 0.0)
    found = rbm.free_energy(holed, given=hm.Given(present=BITS == 0))
    expected = rbm.free_energy(torch.zeros(7, 6), hm.Given(present=torch.tensor(BITS == 0)))
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-6)


def test_nets_of_layers(rbm):
    rows = torch.tensor(BITS, dtype=torch.float32)
    net = hm.DBN([rbm, hm.RBM(4, 3)])
    np.testing.assert_allclose(net.up(BITS), net.up(rows).detach().numpy(), rtol=1e-6)
    np.testing.assert_allclose(net.down(net.up(BITS)), net.down(net.up(rows)).detach().numpy(), rtol=1e-6)
    begun = [net.generate(7, steps=2, start=start, generator=generator()) for start in (rows, BITS, BITS.astype(np.uint8))]
    assert all(torch.equal(begun[0], torch.as_tensor(each)) for each in begun)
    dbm = hm.DBM([hm.Bernoulli(6), hm.Bernoulli(4), hm.Bernoulli(3)])
    hidden = dbm.hidden_mean(BITS)
    assert [type(each) for each in hidden] == [np.ndarray] * 2
    tensors = [torch.as_tensor(each) for each in hidden]
    np.testing.assert_allclose(dbm.energy(BITS, hidden), dbm.energy(rows, tensors).detach().numpy(), rtol=1e-6)
    np.testing.assert_allclose(dbm.visible_mean(hidden), dbm.visible_mean(tensors).detach().numpy(), rtol=1e-6)
    assert dbm.gibbs(BITS, generator=generator()).shape == (7, 6)
    with pytest.raises(ValueError, match="one for each of 2 layers, found ndarray"):
        dbm.energy(BITS, hidden[0])
    belief = hm.SigmoidBeliefNet([hm.Bernoulli(6), hm.Bernoulli(3)])
    np.testing.assert_allclose(belief.log_probability(BITS), belief.log_probability(rows).detach().numpy())
    assert isinstance(belief.gibbs(BITS, generator=generator())[0], np.ndarray)
    machine = hm.BoltzmannMachine(hm.Bernoulli(6), hm.Bernoulli(2))
    np.testing.assert_allclose(machine.free_energy(BITS), machine.free_energy(rows).detach().numpy(), rtol=1e-6)


def test_functions_of_data():
    """They answer with tensors whatever comes in."""
    rbm = hm.RBM(hm.Groups(hm.Bernoulli(6), hm.Softmax(1, categories=3)), 4)
    rows = torch.tensor(BITS, dtype=torch.float32)
    for data in (BITS, BITS.astype(np.uint8), pd.DataFrame(BITS)):
        assert torch.equal(label_log_probability(rbm, data), label_log_probability(rbm, rows))
    plain, frame = hm.RBM(6, 4), pl.DataFrame(BITS, schema=list("abcdef"))
    for data in (BITS.tolist(), frame):
        assert hm.likelihood.free_energy_gap(plain, data, rows) == 0
        own = hm.likelihood.pseudo_likelihood(plain, data, generator=generator())
        assert torch.equal(own, hm.likelihood.pseudo_likelihood(plain, rows, generator=generator()))
        found = hm.likelihood.evaluate(plain, data)
        assert found.nats == hm.likelihood.evaluate(plain, rows).nats
    with pytest.raises(TypeError, match="found None"):
        hm.likelihood.evaluate(plain, None)


@pytest.mark.parametrize("kind", ["uint16", "uint64", "longdouble", ">i4"])
def test_learning_takes_numbers_of_types_that_pytorch_lacks(kind):
    found = []
    for data in (BITS.astype(kind), BITS.astype(np.float32)):
        rbm = hm.RBM(6, 4)
        hm.fit(rbm, data, epochs=2, batch_size=3, progress=False)
        found.append(rbm.coupling.weight.detach())
    assert torch.equal(*found)
