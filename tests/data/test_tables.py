"""Data as people have them."""

from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.data.tables import as_data, as_tensor

BITS = np.random.default_rng(0).integers(0, 2, size=(40, 6))


def library(name: str) -> ModuleType:
    return pytest.importorskip(name, reason=f"{name} is not installed")


def learnt(data: Any) -> torch.Tensor:
    rbm = hm.RBM(6, 4, seed=1)
    hm.fit(rbm, data, epochs=2, batch_size=10, progress=False)
    return rbm.coupling.weight.detach()


FORMS = {
    "int8": lambda: BITS.astype(np.int8),
    "uint8": lambda: BITS.astype(np.uint8),
    "bool": lambda: BITS.astype(bool),
    "float16": lambda: BITS.astype(np.float16),
    "float64": lambda: BITS.astype(float),
    "fortran order": lambda: np.asfortranarray(BITS),
    "rows of numbers": lambda: BITS.tolist(),
    "tuple of vectors": lambda: tuple(BITS),
    "vectors of torch": lambda: list(torch.tensor(BITS)),
    "pandas": lambda: library("pandas").DataFrame(BITS),
    "pandas, mixed": lambda: library("pandas").DataFrame({str(n): BITS[:, n].astype(kind) for n, kind in enumerate("bif?db")}),
    "pandas, objects": lambda: library("pandas").DataFrame(BITS).astype(object),
    "pandas, nullable": lambda: library("pandas").DataFrame(BITS).astype("Int64"),
    "polars": lambda: library("polars").DataFrame(BITS),
    "sparse": lambda: library("scipy.sparse").csr_array(BITS),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_data_is_learnt_alike(form: str) -> None:
    assert torch.equal(learnt(FORMS[form]()), learnt(torch.tensor(BITS)))


@pytest.mark.parametrize("form", FORMS)
def test_other_functions_take_them_too(form: str) -> None:
    data, plain = FORMS[form](), torch.tensor(BITS)
    rbm, labels = hm.RBM(6, 4, seed=1), BITS[:, 0].tolist()
    log_z = hm.likelihood.exact_log_z(rbm)
    assert torch.equal(hm.likelihood.log_likelihood(rbm, data, log_z=log_z), hm.likelihood.log_likelihood(rbm, plain, log_z=log_z))
    net = hm.nets.classifier(hm.greedy(data, [hm.Bernoulli(6), hm.Bernoulli(4)], epochs=1, progress=False), classes=2)
    hm.fine_tune(net, data, labels, epochs=1, progress=False)
    assert torch.equal(hm.predict(net, data), hm.predict(net, plain))


def test_batches_are_not_taken_for_rows() -> None:
    batches = list(torch.tensor(BITS).split(10))
    assert as_data(batches) is batches
    pairs = [(batch, torch.ones(len(batch))) for batch in batches]
    assert as_data(pairs) is pairs


def test_labels_of_a_frame_are_taken_by_place() -> None:
    pandas = library("pandas")
    labels = pandas.Series(BITS[:, 0], index=range(100, 140))
    assert torch.equal(as_tensor(labels), torch.tensor(BITS[:, 0]))


def test_a_column_of_text_is_named() -> None:
    frame = library("pandas").DataFrame({"age": [3, 4], "city": ["Bonn", None]})
    with pytest.raises(ValueError, match="column 'city' holds what are no numbers, such as 'Bonn' in row 0"):
        learnt(frame)


def test_what_is_missing_is_nan() -> None:
    frame = library("pandas").DataFrame({"a": library("pandas").array([1, None], dtype="Int64"), "b": [0.5, 1.0]})
    found = as_tensor(frame)
    assert found.isnan().tolist() == [[False, False], [True, False]]


def test_rows_of_several_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="found lengths from 1 to 2"):
        as_tensor([[1, 0], [1]])


def test_completion_takes_nan_for_missing() -> None:
    rbm, v = hm.RBM(6, 4), np.array([[1.0, 0, np.nan, 1, 0, np.nan]])
    found = hm.sampling.complete(rbm, v, steps=4, generator=torch.Generator().manual_seed(0))
    assert found.v[0, [0, 1, 3, 4]].tolist() == [1, 0, 1, 0]
    assert not found.v.isnan().any()
