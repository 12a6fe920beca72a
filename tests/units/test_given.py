"""Side information about cases: an empty one stands in for none, and every view of a full one keeps its fields in step."""

import torch

from harmonium.units import NOTHING, Given

FULL = Given(
    missing=torch.tensor([[True, False], [False, False], [False, True]]),
    length=torch.tensor([1.0, 2.0, 3.0]),
    context=torch.arange(3)[:, None],
)


def test_nothing_stays_nothing_under_every_view():
    views = [
        NOTHING.rows(3),
        NOTHING.rows(slice(0, 2)),
        NOTHING.expand(4),
        NOTHING.to(torch.device("cpu")),
        NOTHING.whole(),
        NOTHING.part(0, 1),
    ]
    assert not any(views)
    assert not NOTHING.kinds
    assert repr(NOTHING) == "Given()"


def test_the_kinds_that_are_given_are_named():
    assert FULL
    assert FULL.kinds == ("missing", "length", "context")


def test_rows_picks_the_same_cases_of_every_field():
    for index, cases in ((1, [1]), (slice(1, 3), [1, 2]), (torch.tensor([2, 0]), [2, 0])):
        found = FULL.rows(index)
        assert found.length.reshape(-1).tolist() == [case + 1.0 for case in cases]
        assert found.context.reshape(-1).tolist() == cases
        assert found.missing.reshape(-1, 2).tolist() == [FULL.missing[case].tolist() for case in cases]


def test_expand_repeats_every_field_along_a_new_axis():
    found = FULL.rows(2).expand(5)
    assert found.length.tolist() == [3.0] * 5
    assert found.missing.tolist() == [[False, True]] * 5
    assert found.context.shape == (5, 1)


def test_once_values_are_filled_in_none_is_missing():
    assert FULL.whole().kinds == ("length", "context")
