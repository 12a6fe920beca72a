"""Frames of every kind of column become states and come back."""

import datetime as dt
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.data import from_frame


def library(name: str) -> ModuleType:
    return pytest.importorskip(name, reason=f"{name} is not installed")


def pandas_frame() -> Any:
    pd = library("pandas")
    days = pd.to_datetime(["2020-01-05", "2021-03-01", None, "2019-05-06"])
    return pd.DataFrame(
        {
            "real": [31.5, 64.25, None, -20.0],
            "single": np.array([1.5, 2.0, 3.0, 4.25], dtype="float32"),
            "amount": [0.0, 0.0, 10.0, 100.0],
            "visits": [0, 3, 1, 2],
            "visits, gap": [0, 3, None, 2],
            "nullable": pd.array([1000, 2000, None, -5], dtype="Int64"),
            "text": ["no", "yes", "no", None],
            "object": np.array(["a", "b", None, "c"], dtype=object),
            "category": pd.Categorical(["a", "b", None, "c"], categories=["c", "b", "a", "d"]),
            "ordered": pd.Categorical(["low", "high", "middle", "high"], categories=["low", "middle", "high"], ordered=True),
            "bool": [True, False, True, True],
            "nullable bool": pd.array([True, None, False, True], dtype="boolean"),
            "day": days,
            "zone": days.tz_localize("Europe/Berlin"),
            "duration": pd.to_timedelta([1, 2, 3, None], unit="h"),
        },
        index=list("wxyz"),
    )


def polars_frame() -> Any:
    pl = library("polars")
    moments = pl.Series([dt.datetime(2020, 1, 5, 12), dt.datetime(2021, 1, 5, 12), None, dt.datetime(2020, 1, 7, 12)])
    return pl.DataFrame(
        {
            "real": [31.5, 64.25, None, -20.0],
            "amount": [0.0, 0.0, 10.0, 100.0],
            "visits": [0, 3, 1, None],
            "whole": [1000, 2000, None, -5],
            "text": ["no", "yes", "no", None],
            "category": pl.Series(["a", "b", None, "c"], dtype=pl.Categorical),
            "enum": pl.Series(["a", "b", None, "c"], dtype=pl.Enum(["c", "b", "a", "d"])),
            "bool": [True, None, False, True],
            "day": [dt.date(2020, 1, 5), dt.date(2021, 3, 1), None, dt.date(2019, 5, 6)],
            "zone": moments.dt.replace_time_zone("Europe/Berlin"),
            "duration": [dt.timedelta(hours=1), dt.timedelta(hours=2), None, dt.timedelta(hours=4)],
        }
    )


KINDS = {
    **dict.fromkeys(("real", "single", "nullable", "whole", "day", "zone", "duration"), "real"),
    **dict.fromkeys(("text", "bool", "nullable bool"), "binary"),
    **dict.fromkeys(("object", "category", "enum"), "categorical"),
    **dict.fromkeys(("visits", "visits, gap"), "count"),
    "amount": "non-negative",
    "ordered": "ordered",
}


def test_a_frame_of_pandas_comes_back():
    pd, frame = library("pandas"), pandas_frame()
    table = from_frame(frame)
    assert table.kinds == {name: KINDS[name] for name in frame.columns}
    pd.testing.assert_frame_equal(table.to_frame(table.rows), frame.reset_index(drop=True), rtol=1e-6)
    pd.testing.assert_frame_equal(table.filled(table.rows), frame, rtol=0)
    for column in table.columns:
        gaps = table.given.missing[:, column.units].numpy()
        assert (gaps == frame[column.name].isna().to_numpy()[:, None]).all()


def test_a_frame_of_polars_comes_back():
    testing, frame = pytest.importorskip("polars.testing"), polars_frame()
    table = from_frame(frame)
    assert table.kinds == {name: KINDS[name] for name in frame.columns}
    testing.assert_frame_equal(table.to_frame(table.rows), frame, rel_tol=1e-6)
    testing.assert_frame_equal(table.filled(table.rows), frame)


@pytest.mark.parametrize("make", [pandas_frame, polars_frame])
def test_gaps_alone_are_filled(make):
    frame = make()
    table = from_frame(frame)
    whole = table.filled(torch.nan_to_num(table.rows))
    seen, encoded = ~table.rows.isnan(), table.encode(whole)
    assert not encoded.given
    assert torch.equal(encoded.rows[seen], table.rows[seen])


def test_any_states_of_the_layer_become_a_frame_that_encodes_to_them():
    table = from_frame(pandas_frame())
    visible = table.visible
    drawn = visible.sample(visible.zero_input(50), generator=torch.Generator().manual_seed(0))
    again = table.encode(table.to_frame(drawn)).rows
    for column in table.columns:
        step = getattr(column.code, "step", 0.0) / getattr(column.code, "scale", 1.0)
        torch.testing.assert_close(again[:, column.units], drawn[:, column.units], rtol=1e-5, atol=1e-5 + 0.51 * step)


def test_the_layer_has_the_columns_units():
    table = from_frame(pandas_frame())
    visible = table.visible
    assert isinstance(visible, hm.Groups)
    assert visible.shape == (table.rows.shape[1],) == (table.columns[-1].stop,)
    assert [type(part).__name__ for part in visible.layers()] == [
        "Gaussian", "TruncatedGaussian", "Poisson", "Gaussian", "Bernoulli", "Softmax", "Softmax", "Binomial", "Bernoulli", "Gaussian",
    ]  # fmt: skip
    assert table.visible is not visible  # two machines never share a layer by accident
    filled = torch.where(table.rows.isnan(), visible.mode(visible.zero_input()), table.rows)
    visible.check(filled)
    rbm = hm.RBM(visible, 3)
    hm.fit(rbm, table.rows, given=table.given, epochs=1, batch_size=2, progress=False)


def test_real_columns_are_standardised_and_missing_cells_do_not_count():
    pd = library("pandas")
    draw = np.random.default_rng(0)
    values = draw.normal(300, 7, 1000)
    values[::5] = np.nan
    spent = draw.exponential(40, 1000)
    table = from_frame(pd.DataFrame({"x": values, "spent": spent}))
    known = values[~np.isnan(values)]
    np.testing.assert_allclose(table.rows[:, 0].numpy(), (values - known.mean()) / known.std(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(table.rows[:, 1].numpy(), spent / np.sqrt((spent**2).mean()), rtol=1e-5)
    assert torch.equal(table.given.missing[:, 0], torch.from_numpy(np.isnan(values)))
    assert not from_frame(pd.DataFrame({"x": known})).given


def test_kinds_are_named_column_by_column():
    pd = library("pandas")
    frame = pd.DataFrame({"stars": [1, 5, 3, 3], "size": ["S", "L", "M", "S"], "code": [10, 20, 30, 10], "n": [0, 1, 2, 3]})
    assert from_frame(frame).kinds == {"stars": "count", "size": "categorical", "code": "count", "n": "count"}
    table = from_frame(frame, {"stars": [1, 2, 3, 4, 5], "size": ["S", "M", "L"], "code": "categorical", "n": "real"})
    assert table.kinds == {"stars": "ordered", "size": "ordered", "code": "categorical", "n": "real"}
    assert table.rows[:, :2].tolist() == [[0, 0], [4, 2], [2, 1], [2, 0]]
    assert table.rows[:, 2:5].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]]
    pd.testing.assert_frame_equal(table.to_frame(table.rows), frame)
    lines = repr(table).splitlines()
    assert lines[0] == "4 rows of 4 columns, no values missing: 6 units"
    assert lines[2] == "size   ordered        Binomial: S < M < L"


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0, 1, 1, 0], "binary"),
        ([3, 7, 7, 3], "binary"),
        ([0.5, 1.5, 0.5, 1.5], "real"),
        ([True, False, None, True], "binary"),
        ([1, 2, 3, 4], "count"),
        ([1.0, 2.0, 3.0, None], "count"),
        ([31, 45, 62, 70], "real"),
        ([0, 0, 0, 300], "binary"),
        ([0, 1, 0, 300], "non-negative"),
        ([-1, 2, 3, 4], "real"),
        ([0.1, 0.2, 5.0, 0.3], "non-negative"),
        ([5.1, 5.2, 5.3, 5.4], "real"),
        ([7, 7, 7, 7], "real"),
        (["a", "b", "a", "b"], "binary"),
        (["a", "b", "c", None], "categorical"),
    ],
)
def test_what_is_guessed(values, kind):
    assert from_frame(library("pandas").DataFrame({"x": values})).kinds == {"x": kind}


def refused(values, message, kind=None):
    frame = library("pandas").DataFrame({"x": values})
    with pytest.raises(ValueError, match=message):
        from_frame(frame, None if kind is None else {"x": kind})


def test_columns_that_do_not_fit_are_named():
    refused([None, None], "column 'x' has no values")
    refused([f"name {n}" for n in range(40)], "column 'x' holds 40 different values in 40 cells, as names or texts do: leave it out")
    refused(["a", "a"], r"column 'x', of kind 'categorical', must have two or more different values, found 1: 'a'; leave it out")
    refused([1, 2, 3], r"of kind 'binary', must have two different values, found 3: 1, 2, 3; name another kind", "binary")
    refused(["a", "b", "c"], r"the order of the values of column 'x' is not known: list them, kinds=\{'x': \['a', ...\]\}", "ordered")
    refused([1, 2, -3], "row 2 of column 'x', of kind 'count', must hold a number of zero or more, found -3", "count")
    refused([1, 2.5, 3], "row 1 of column 'x', of kind 'count', must hold a whole number, found 2.5", "count")
    refused([1.5, np.inf, 2.5], "row 1 of column 'x', of kind 'real', must hold a finite number, found inf")
    refused(["1.5", "many", "2"], "column 'x' holds what are no numbers, such as 'many' in row 1", "real")
    refused([1, 2, 3], "can be of the kinds binary, categorical, ordered, count, non-negative, real, or a list .* found 'normal'", "normal")
    refused(["a", "b"], "a list of two or more different values, found", ["a", "a"])
    refused([[1], [2]], "column 'x' holds lists or other compound values")
    with pytest.raises(ValueError, match="kinds names 'y', and the frame has the columns 'x'"):
        from_frame(library("pandas").DataFrame({"x": [1.5, 2.5]}), {"y": "real"})
    with pytest.raises(TypeError, match="expected a frame of pandas or polars, found dict"):
        from_frame({"x": [1]})
    with pytest.raises(ValueError, match="found 0 rows and 1 columns"):
        from_frame(library("pandas").DataFrame({"x": []}))


def test_other_frames_are_encoded_by_the_same_rules():
    pd = library("pandas")
    frame = pd.DataFrame({"x": [1.0, 2.5, 4.0], "label": ["a", "b", "c"], "n": [0, 1, 2]})
    table = from_frame(frame)
    other = table.encode(pd.DataFrame({"n": [7], "label": ["b"], "x": [2.5], "more": ["left out"]}))
    assert other.rows.tolist() == [[0, 0, 1, 0, 7]]
    assert not other.given
    polars = table.encode(library("polars").DataFrame({"x": [None, 4.0], "label": ["a", None], "n": [1, 2]}))
    assert polars.given.missing.int().tolist() == [[1, 0, 0, 0, 0], [0, 1, 1, 1, 0]]
    with pytest.raises(ValueError, match=r"row 1 of column 'label' holds 'd', which is none of its 3 known values \('a', 'b', 'c'\)"):
        table.encode(pd.DataFrame({"x": [1, 2], "label": ["a", "d"], "n": [0, 0]}))
    with pytest.raises(ValueError, match="row 1 of column 'n', of kind 'count', must hold a number of zero or more, found -1"):
        table.encode(pd.DataFrame({"x": [1, 2], "label": ["a", "a"], "n": [0, -1]}))
    with pytest.raises(ValueError, match="found none named 'label', 'n'"):
        table.encode(pd.DataFrame({"x": [1, 2]}))
    with pytest.raises(ValueError, match=r"expected states of shape \(rows, 5\), found \(1, 4\)"):
        table.to_frame(torch.zeros(1, 4))
