"""Averages of factorial distributions against products over the units, written out in NumPy."""

import numpy as np
import pytest

from tests.gallery.scripts import run

HIDDEN = 10


def total_correlation(p, states):
    ons = p @ states
    product = np.prod(np.where(states == 1, ons, 1 - ons), axis=1)
    return (p * np.log(p / product)).sum()


@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_aggregated_posterior():
    found = run("plot_08_aggregated_posterior")
    assert found["figures"] == ["averaging_factorial", "aggregated_posterior"]

    rbm, states = found["rbm"], np.array([[n >> k & 1 for k in range(HIDDEN)] for n in range(2**HIDDEN)], dtype=float)
    weight, b, c = (t.numpy() for t in (rbm.coupling.weight, rbm.visible.bias, rbm.hidden.bias))
    np.testing.assert_array_equal(found["h"], states)

    # p(h) by the sum over v, unit by unit.
    log_prior = states @ c + np.logaddexp(0, b + states @ weight.T).sum(1)
    prior = np.exp(log_prior - log_prior.max())
    prior /= prior.sum()
    np.testing.assert_allclose(found["prior"], prior, rtol=1e-9)
    assert found["of_prior"] == pytest.approx(total_correlation(prior, states), abs=1e-9)
    assert found["of_prior"] > 0.5

    averages = {}
    for name, v in (("digits", found["digits"].double().numpy()), ("the machine's own data", found["own"].numpy())):
        ons = 1 / (1 + np.exp(-(c + v @ weight)))
        q = 1.0
        for unit in range(HIDDEN):
            q = q * np.where(states[:, unit] == 1, ons[:, [unit]], 1 - ons[:, [unit]])
        np.testing.assert_allclose(found["each"][name], q, rtol=1e-9, atol=1e-300)
        averages[name] = q.mean(0)
        assert found["together"][name] == pytest.approx(total_correlation(averages[name], states), abs=1e-9)
        assert found["together"][name] > 0.5
        for place, count in enumerate(found["counts"].tolist()[1:], 1):
            assert 0.1 < found["growing"][name][place].item() == pytest.approx(total_correlation(q[:count].mean(0), states), abs=1e-9)
        assert abs(found["growing"][name][0]) < 1e-12
    assert found["single"] < 1e-12

    # Over its own data the average is p(h), as far as 1,497 cases can show.
    ons, expected = averages["the machine's own data"] @ states, prior @ states
    assert (np.abs(ons - expected) < 4 * np.sqrt(expected * (1 - expected) / len(v))).all()
    assert found["together"]["the machine's own data"] == pytest.approx(found["of_prior"], abs=0.1)

    # The tables of two units, their average in particular.
    one, another = (found["tables"][name].reshape(2, 2).numpy() for name in ("one digit", "another"))
    for table in (one, another):
        np.testing.assert_allclose(table, np.outer(table.sum(1), table.sum(0)), atol=1e-12)
    average = found["tables"]["their average"].reshape(2, 2).numpy()
    assert np.abs(average - np.outer(average.sum(1), average.sum(0))).max() > 0.05
    i, j = found["i"], found["j"]
    shares = [averages["digits"][(states[:, i] == x) & (states[:, j] == y)].sum() for x in (0, 1) for y in (0, 1)]
    np.testing.assert_allclose(found["tables"]["all digits"], shares, atol=1e-12)

    # What is left for a second layer: less than the machine's own p(h) leaves, which is less than a product does.
    digits = averages["digits"]
    of_prior = (digits * np.log(digits / prior)).sum()
    assert found["missed"][:2] == pytest.approx([total_correlation(digits, states), of_prior], abs=1e-9)
    assert 0 < found["missed"][2] < 0.6 * found["missed"][1] < 0.1 * found["missed"][0]
