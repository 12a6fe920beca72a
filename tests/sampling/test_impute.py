"""The posterior of missing values agrees with that of a machine that is enumerated."""

import math

import numpy as np
import pytest
import torch

import harmonium as hm
from tests import gapped
from tests.models.machines import machine, plain, samples

KINDS = [*gapped.KINDS, "binomial", "spin", "stepped", "learnt_truncated", "poisson_truncated_stepped"]
CASES, CHAINS = 6, 400


def imputed(visible):
    """An imputation of cases with random gaps, and of each case the exact completions and their probabilities."""
    rbm = machine(visible, "bernoulli", seed=5, size=0.9)
    v, gaps = samples(rbm.visible, CASES, 1), gapped.mask(plain(rbm), CASES, 3)
    found = hm.impute(rbm, torch.tensor(np.where(gaps, math.nan, v)), chains=CHAINS, steps=60, seed=2)
    return rbm, v, gaps, found, [gapped.posterior(plain(rbm), *case) for case in zip(v, gaps, strict=True)]


@pytest.mark.parametrize("visible", KINDS)
def test_moments_are_those_of_the_enumerated_posterior(visible):
    _, v, gaps, found, exact = imputed(visible)
    for case, (states, p) in enumerate(exact):
        mean, second = p @ states, p @ states**2
        error = found.standard_error[case].numpy()
        assert (np.abs(found.mean[case].numpy() - mean) <= 5 * error + 1e-6).all()
        spread = np.sqrt(np.maximum(second - mean**2, 0))
        np.testing.assert_allclose(found.standard_deviation[case].numpy(), spread, atol=0.02, rtol=0.03)
    here = torch.tensor(gaps)
    assert torch.equal(found.missing, here)
    assert (found.mean[~here].numpy() == v[~gaps]).all()
    assert (found.rows[~here].numpy() == v[~gaps]).all()
    assert (found.standard_deviation[~here] == 0).all()


def levels(states, p, unit):
    """The values of one unit and their probabilities."""
    values = np.unique(states[:, unit])
    return values, np.array([p[states[:, unit] == value].sum() for value in values])


@pytest.mark.parametrize("visible", ["bernoulli", "softmax", "binomial", "spin", "stepped", "bernoulli_softmax"])
def test_the_imputed_state_is_the_most_probable_one(visible):
    rbm, _, gaps, found, exact = imputed(visible)
    rbm.visible.check_states(found.rows)
    checked = 0
    for case, unit in zip(*np.nonzero(gaps), strict=True):
        values, p = levels(*exact[case], unit)
        of_group = visible == "softmax" or (visible == "bernoulli_softmax" and unit >= 2)
        if of_group:
            start = 2 + 0 * unit if visible == "bernoulli_softmax" else unit // 3 * 3
            p = np.array([levels(*exact[case], start + k)[1][1] for k in range(3)])
        top, second = np.sort(p)[::-1][:2]
        assert found.probability[case, unit].item() == pytest.approx(top, abs=0.03)
        if top - second > 0.05:
            checked += 1
            best = p.argmax()
            expected = float(unit - start == best) if of_group else values[best]
            assert found.rows[case, unit].item() == expected
    assert checked > 4


def test_draws_are_completed_tables():
    _, v, gaps, found, exact = imputed("binomial")
    assert found.draws.shape == (CHAINS, CASES, 2)
    assert (found.draws[:, ~torch.tensor(gaps)].numpy() == v[~gaps]).all()
    states, p = exact[1]  # nothing was seen
    np.testing.assert_allclose(found.draws[:, 1].double().mean(0).numpy(), p @ states, atol=5 * 1.5 / math.sqrt(CHAINS))


def test_a_seed_gives_its_numbers():
    rbm, rows = machine("gaussian_bernoulli", "bernoulli"), torch.tensor([[math.nan, 1.0, math.nan], [0.3, 1.0, 0.0]])
    one, again, other = (hm.impute(rbm, rows, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one.draws, again.draws)
    assert not torch.equal(one.draws, other.draws)
    assert torch.equal(one.rows[1], rows[1].double())


def test_what_is_wrong_is_told():
    rbm = hm.RBM(hm.Softmax(1, categories=3), 2)
    with pytest.raises(ValueError, match=r"all categories of a softmax group or none"):
        hm.impute(rbm, torch.tensor([[0.0, 1.0, math.nan]]))
    with pytest.raises(ValueError, match=r"rows of shape \(cases, 3\), at least one, found \(1, 4\)"):
        hm.impute(rbm, torch.zeros(1, 4))
    with pytest.raises(ValueError, match="at least one chain"):
        hm.impute(rbm, torch.eye(3), chains=0)
    with pytest.raises(TypeError, match=r"takes an RBM, found DBN; hm.sampling.complete"):
        hm.impute(hm.DBN([rbm]), torch.eye(3))
    with pytest.raises(ValueError, match="without a table"):
        _ = hm.impute(rbm, torch.eye(3)).frame


def test_cells_tell_value_and_uncertainty_in_the_columns_own_scale():
    pandas = pytest.importorskip("pandas")
    draw = np.random.default_rng(0)
    warm = draw.random(200) < 0.5
    degrees = np.where(warm, 25.0, 5.0) + draw.normal(0, 1, 200)
    frame = pandas.DataFrame({"season": np.where(warm, "summer", "winter"), "degrees": degrees}, index=[f"day {n}" for n in range(200)])
    frame.loc["day 0", "season"], frame.loc["day 1", "degrees"] = None, None
    frame.loc["day 0", "degrees"], frame.loc["day 1", "season"] = 26.0, "winter"
    table = hm.data.from_frame(frame, {"degrees": "real"})
    rbm = hm.RBM(table.visible, 1)
    with torch.no_grad():  # one cause: winter at -1, summer at +1 standard deviations
        season, air = (rbm.visible.parts[k] for k in (0, 1))
        season.bias.fill_(8.0)
        air.bias.fill_(-1.0)
        air.log_variance.fill_(2 * math.log(0.1))
        rbm.coupling.weight.copy_(torch.tensor([[-16.0], [2.0]]))
        rbm.hidden.bias.fill_(8.0)
    found = hm.impute(rbm, table)
    assert found.frame.loc["day 0", "season"] == "summer"
    assert found.frame.loc["day 1", "degrees"] == pytest.approx(degrees.mean() - degrees.std(), abs=0.3)
    known = frame.drop(index=["day 0", "day 1"])
    pandas.testing.assert_frame_equal(found.frame.loc[known.index], known)
    cells = found.cells.set_index("column")
    assert list(cells["row"]) == [0, 1]
    assert cells.loc["season", "value"] == "summer"
    assert 0.9 < cells.loc["season", "probability"] <= 1
    assert cells.loc["degrees", "mean"] == pytest.approx(degrees.mean() - degrees.std(), abs=0.3)
    assert cells.loc["degrees", "standard_deviation"] == pytest.approx(0.1 * degrees.std(), rel=0.1)
    assert math.isnan(cells.loc["season", "mean"])
