"""Data that cannot be learnt from are refused before any parameter changes; every way of giving good data is the same."""

from functools import partial

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.data.batches import ArrayRows, Batches
from harmonium.learning import Source
from harmonium.learning.fit import ORDER
from harmonium.seeds import derive

ROWS = (np.random.default_rng(0).random((50, 4)) < np.array([0.2, 0.4, 0.6, 0.8])).astype(np.float32)
NAN = float("nan")


def new(kind=hm.Bernoulli):
    return hm.RBM(kind(4), hm.Bernoulli(3), seed=1)


def fit(rbm, data, **settings):
    return hm.fit(rbm, data, **{"epochs": 3, "batch_size": 20, "progress": False, **settings})


def spoilt(value):
    rows = ROWS.copy()
    rows[37, 2] = value
    return rows


class Rows:
    """A source of ready-made rows."""

    def __init__(self, rows):
        self.held = torch.as_tensor(rows)

    def __len__(self):
        return len(self.held)

    def rows(self, indices, generator):
        return self.held[indices]


REFUSED = {
    "wrong width": (ROWS[:, :3], {}, r", 4\), found \(50, 3\)"),
    "one case as a vector": (ROWS[0], {}, r"\(cases, 4\).*\(4,\)"),
    "two leading axes": (ROWS.reshape(5, 10, 4), {}, r"\(cases, 4\).*\(5, 10, 4\)"),
    "one number": (np.array(1.0), {}, r"\(cases, 4\).*\(\)"),
    "NaN": (spoilt(NAN), {}, "1 NaN"),
    "grey": (spoilt(0.3), {}, r"0\.3.*binarise"),
    "grey bytes": ((ROWS * 255).astype(np.uint8), {}, "255.*binarise"),
    "negative": (spoilt(-1), {}, "-1"),
    "empty": (ROWS[:0], {}, "at least one case"),
    "a path": ("data.npy", {}, "str"),
    "None": (None, {}, "NoneType"),
    "weights of another length": (ROWS, {"sample_weight": np.ones(49)}, "50 finite non-negative"),
    "negative weights": (ROWS, {"sample_weight": -np.ones(50)}, "non-negative.*-1"),
    "NaN weights": (ROWS, {"sample_weight": [NAN] * 50}, "finite"),
    "weights of a stream": ([ROWS], {"sample_weight": np.ones(50)}, "sample_weight takes no iterable"),
    "an iterator": (iter([ROWS]), {}, "once"),
    "a generator": ((rows for rows in [ROWS]), {}, "once"),
    "an empty stream": ([], {}, "no batch"),
    "a stream of grey": ([spoilt(0.3)], {}, "binarise"),
    "a stream of another width": ([ROWS[:, :2]], {}, r", 4\), found \(50, 2\)"),
    "a stream with negative weights": ([(ROWS, -np.ones(50))], {}, "non-negative"),
    "a stream with weights of another length": ([(ROWS, np.ones(49))], {}, "50 finite"),
    "a source of another width": (Rows(ROWS[:, :3]), {}, r"\.\.\., 4\), found \(50, 3\)"),
    "a source of grey": (Rows(spoilt(0.3)), {}, "binarise"),
    "an empty source": (Rows(ROWS[:0]), {}, "at least one"),
    "no batch": (ROWS, {"batch_size": 0}, "batch_size=0"),
    "validation of another width": (ROWS, {"validation": ROWS[:, :3]}, r", 4\), found \(50, 3\)"),
    "validation that is grey": (ROWS, {"validation": spoilt(0.3)}, "binarise"),
}


@pytest.mark.parametrize(("data", "settings", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_before_any_parameter_changes(data, settings, message):
    rbm = new()
    before = {name: value.clone() for name, value in rbm.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        fit(rbm, data, **settings)
    for name, value in rbm.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("settings", [{"steps": 0}, {"reconstruction": "median"}])
def test_settings_of_contrastive_divergence(settings):
    with pytest.raises(ValueError, match=r"at least one step|reconstruction"):
        hm.ContrastiveDivergence(**settings)


@pytest.mark.parametrize("settings", [{"chains": 0}, {"steps": 0}])
def test_settings_of_persistent_chains(settings):
    with pytest.raises(ValueError, match="at least one chain"):
        hm.PersistentCD(**settings)


def weights_after(data, *, dtype=torch.float32, **settings):
    rbm = new().to(dtype)
    torch.nn.init.constant_(rbm.visible.bias, 0.1)  # so that the start depends on no look at the data
    fit(rbm, data, **{"optimizer": partial(hm.MomentumSGD, lr=0.01, momentum=0.9), **settings})
    return {name: value.clone() for name, value in rbm.state_dict().items()}


def same(found, expected):
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("kind", ["tensor", "bytes", "bools", "doubles", "integers", "memory map", "strided", "source"])
def test_every_container_of_the_same_rows_gives_the_same_bits(tmp_path, kind):
    np.save(tmp_path / "rows.npy", ROWS)
    given = {
        "tensor": lambda: torch.tensor(ROWS),
        "bytes": lambda: ROWS.astype(np.uint8),
        "bools": lambda: torch.tensor(ROWS).bool(),
        "doubles": lambda: ROWS.astype(np.float64),
        "integers": lambda: ROWS.astype(np.int64),
        "memory map": lambda: np.load(tmp_path / "rows.npy", mmap_mode="r"),
        "strided": lambda: np.repeat(ROWS, 2, axis=1)[:, ::2],
        "source": lambda: Rows(ROWS),
    }[kind]()
    assert isinstance(given, Source) == (kind == "source")
    same(weights_after(given), weights_after(ROWS))


@pytest.mark.parametrize("weighted", [False, True])
def test_a_stream_of_the_same_batches_in_the_same_order_gives_the_same_bits(weighted):
    weights = np.full(50, 2.0)
    sources = [ArrayRows(torch.tensor(ROWS)), ArrayRows(torch.tensor(weights))]
    order = Batches(sources, batch_size=20, seed=derive(7, ORDER))

    class Stream:
        def __init__(self):
            self.epoch = 0

        def __iter__(self):
            for rows, share in order.epoch(self.epoch, 0, torch.Generator()):
                yield (rows.numpy(), share.numpy()) if weighted else rows
            self.epoch += 1

    array = weights_after(ROWS, seed=7, sample_weight=weights if weighted else None)
    same(weights_after(Stream(), seed=7), array)
    # batch_size means nothing to a stream, whose batches are its own.
    same(weights_after(Stream(), seed=7, batch_size=3), array)


def test_an_iterator_may_be_walked_once():
    same(weights_after(iter([ROWS[:20], ROWS[20:]]), epochs=1), weights_after([ROWS[:20], ROWS[20:]], epochs=1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_resampled_grey_images_are_a_source(dtype):
    grey = np.tile(np.array([0, 64, 128, 255], dtype=np.uint8), (400, 1))
    rbm = new().to(dtype)
    rbm.coupling.weight.data.zero_()
    fit(rbm, hm.data.binarise(grey, "resampled"), epochs=0)
    close = torch.tensor([1 / 402, 64 / 255, 128 / 255, 401 / 402], dtype=dtype)
    torch.testing.assert_close(torch.sigmoid(rbm.visible.bias.detach()), close, atol=4 * 0.5 / 20, rtol=0)
    fit(rbm, hm.data.binarise(grey, "resampled"), epochs=2, negative=hm.PersistentCD(chains=10))
    assert rbm.visible.bias.dtype == dtype


def test_declared_probabilities_may_be_bytes():
    results = []
    for rows in ((ROWS * 200).astype(np.uint8), (ROWS * 200).astype(np.float32) / 255):
        rbm = new(partial(hm.Bernoulli, values="probabilities"))
        fit(rbm, rows)
        results.append(rbm.state_dict())
    for name, value in results[0].items():
        torch.testing.assert_close(value, results[1][name])


def test_one_hot_bytes_stay_one_hot():
    results = []
    for rows in (np.eye(4, dtype=np.uint8), np.eye(4, dtype=np.float32)):
        rbm = hm.RBM(hm.Softmax(1, categories=4, values="probabilities"), hm.Bernoulli(3), seed=1)
        fit(rbm, rows)
        results.append(rbm.state_dict())
    same(*results)


def test_grey_bytes_beside_labels():
    """The part that takes probabilities reads levels, the labels beside it ones and zeros."""
    rows, results = np.array([[200, 0, 1, 0], [100, 255, 0, 1]], dtype=np.uint8), []
    for data in (rows, rows / np.array([255.0, 255, 1, 1])):
        rbm = hm.RBM(hm.Groups(hm.Bernoulli(2, values="probabilities"), hm.Softmax(1, categories=2)), hm.Bernoulli(3), seed=1)
        fit(rbm, data)
        results.append(rbm.state_dict())
    for name, value in results[0].items():
        torch.testing.assert_close(value, results[1][name])


def test_no_side_information_is_left_out_and_is_not_none() -> None:
    with pytest.raises(TypeError, match="found NoneType: leave it out"):
        hm.fit(hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4)), torch.eye(6), given=None, progress=False)  # type: ignore[arg-type]
