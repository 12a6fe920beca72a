"""Where learning rules rest, against loops and matrix products over every state and a quasi-Newton search in NumPy and SciPy."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

import harmonium as hm
from tests.gallery.scripts import run

V = np.array([[n >> k & 1 for k in range(8)] for n in range(256)], dtype=float)
H = np.array([[n >> k & 1 for k in range(4)] for n in range(16)], dtype=float)
COST = np.array([0.0] * 12 + [1e-4] * 32)


def tables(theta):
    """p(v, h), p(h | v) and p(v | h) from the energies of all 4,096 configurations."""
    b, c, weight = theta[:8], theta[8:12], theta[12:].reshape(8, 4)
    log_p = (V @ b)[:, None] + H @ c + V @ weight @ H.T
    joint = np.exp(log_p - log_p.max())
    joint /= joint.sum()
    return joint, joint / joint.sum(1, keepdims=True), (joint / joint.sum(0)).T


def statistics(joint):
    return np.concatenate([joint.sum(1) @ V, joint.sum(0) @ H, (V.T @ joint @ H).ravel()])


def update(theta, p, steps):
    """The mean update of CD-k, or of maximum likelihood for None, weight cost included."""
    joint, up, down = tables(theta)
    q = joint.sum(1) if steps is None else p @ np.linalg.matrix_power(up @ down, steps)
    return statistics(p[:, None] * up) - statistics(q[:, None] * up) - COST * theta


def kl(p, q):
    return (p[p > 0] * np.log(p[p > 0] / q[p > 0])).sum()


def contrast(theta, p):
    joint, up, down = tables(theta)
    return kl(p, joint.sum(1)) - kl(p @ up @ down, joint.sum(1)) + 0.5 * (COST * theta**2).sum()


@pytest.fixture(scope="module")
def found():
    return run("plot_05_contrastive_divergence")


def test_where_the_rules_rest(found):
    assert found["figures"] == ["cd_fixed_points", "cd_objective"]
    data = found["p"].numpy()
    assert data.shape == (10, 256)
    np.testing.assert_allclose(data.sum(1), 1)
    for rule, steps in (("CD-1", 1), ("CD-10", 10), ("PCD", None)):
        for n, p in enumerate(data):
            rest, best = found["rests"][rule][n].numpy(), found["best"][rule][n].numpy()
            if rule != "PCD":
                assert np.abs(update(rest, p, steps)).max() < 1e-8
            assert np.abs(update(best, p, None)).max() < 1e-8
            expected = kl(p, tables(rest)[0].sum(1)) - kl(p, tables(best)[0].sum(1))
            assert found["gaps"][rule][n].item() == pytest.approx(expected, abs=1e-10)

    # Biased, but little beside KL itself; ten sweeps leave next to nothing of it; sparse distributions have nearly all of it.
    gaps = {rule: gap.numpy() for rule, gap in found["gaps"].items()}
    least = np.mean([kl(p, tables(best.numpy())[0].sum(1)) for p, best in zip(data, found["best"]["CD-1"], strict=True)])
    assert (gaps["CD-1"] > 1e-6).all()
    assert gaps["CD-10"].mean() < 0.05 * gaps["CD-1"].mean() < 0.05 * 0.05 * least
    assert gaps["CD-1"][5:].mean() > 20 * gaps["CD-1"][:5].mean()
    # PCD is nearer where CD-1 is far, and further away where CD-1 is near.
    far = gaps["CD-1"] > 0.005
    assert 2 <= far.sum() <= 5
    assert gaps["PCD"][far].mean() < 0.6 * gaps["CD-1"][far].mean()
    assert gaps["PCD"].mean() < 0.7 * gaps["CD-1"].mean()
    assert gaps["PCD"][~far].mean() > gaps["CD-1"][~far].mean()


def test_maximum_likelihood_by_other_means(found):
    for n in (0, 7):
        p, best = found["p"][n].numpy(), found["best"]["CD-1"][n].numpy()

        def objective(theta, p=p):
            return kl(p, tables(theta)[0].sum(1)) + 0.5 * (COST * theta**2).sum(), -update(theta, p, None)

        end = minimize(objective, found["rests"]["CD-1"][n].numpy(), jac=True, method="L-BFGS-B", options={"maxiter": 5000, "gtol": 1e-9})
        assert end.fun == pytest.approx(objective(best)[0], abs=1e-6)
        # The library's exact rule stays there.
        machines = found["machines"]
        rbm = machines.rbm(torch.tensor(best))
        optimizer = partial(torch.optim.SGD, lr=0.1)
        batches = [(machines.v, found["p"][n])] * 20
        hm.fit(rbm, batches, negative=hm.ExactGradient(), optimizer=optimizer, weight_cost=1e-4, epochs=1, progress=False)
        np.testing.assert_allclose(machines.row(rbm).numpy(), best, atol=1e-7)


def test_the_update_is_no_gradient(found):
    """The derivative by central differences, of one machine."""
    theta, p = found["random"][3].numpy(), found["p"][3].numpy()
    for steps in (1, 10, None):
        columns = [(update(theta + e, p, steps) - update(theta - e, p, steps)) / 2e-5 for e in 1e-5 * np.eye(44)]
        jacobian = np.array(columns).T
        share = np.linalg.norm(jacobian - jacobian.T) / np.linalg.norm(jacobian)
        assert found["odd"][steps][3].item() == pytest.approx(share, abs=1e-7)
    assert (found["odd"][1] > 0.05).all()  # not a gradient
    assert (found["odd"][None] < 1e-12).all()
    assert all(found["odd"][a].mean() > found["odd"][b].mean() for a, b in ((1, 2), (2, 3), (3, 5), (5, 10)))


def test_the_objective_that_it_follows(found):
    values = {name: torch.stack(rows) for name, rows in found["cosines"].items()}
    assert values["the contrast's descent"].amin() > 0.5
    assert values["the likelihood's ascent"].amin() < 0.6 * values["the contrast's descent"].amin()
    # The last look, of three distributions, by central differences of the enumerated contrast.
    for n in (1, 4, 7):
        theta, p = found["theta"][n].numpy(), found["p"][n].numpy()
        descent = -np.array([(contrast(theta + e, p) - contrast(theta - e, p)) / 2e-5 for e in 1e-5 * np.eye(44)])
        step = update(theta, p, 1)
        cosine = step @ descent / np.linalg.norm(step) / np.linalg.norm(descent)
        assert values["the contrast's descent"][-1, n].item() == pytest.approx(cosine, abs=1e-5)

    above = found["above"]
    for name, theta in found["places"].items():
        least = found["least"].numpy()
        for n in (0, 9):
            p = found["p"][n].numpy()
            assert above[name][n].item() == pytest.approx(contrast(theta[n].numpy(), p) - contrast(least[n], p), abs=1e-10)
        assert (above[name] > -1e-6).all(), name
    # Little above the least value at CD-1's rest, and at the likelihood's optimum, where it began far above.
    for name in ("CD-1's rest", "maximum likelihood"):
        assert 50 * above[name].mean() < above["start"].mean(), name
    of_least = np.array([kl(p.numpy(), tables(t.numpy())[0].sum(1)) for t, p in zip(found["least"], found["p"], strict=True)])
    of_best = np.array([kl(p.numpy(), tables(t.numpy())[0].sum(1)) for t, p in zip(found["best"]["CD-1"], found["p"], strict=True)])
    assert (of_least - of_best).mean() < 0.6 * found["gaps"]["CD-1"].mean()
