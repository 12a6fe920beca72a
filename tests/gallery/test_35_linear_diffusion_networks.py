"""Factor analysis, the RBM and the diffusion network: by Lyapunov's equation and NumPy's determinants."""

import numpy as np
import pytest
from scipy.linalg import solve_continuous_lyapunov

from tests.gallery.scripts import run


def test_linear_diffusion_networks() -> None:
    found = run("plot_35_linear_diffusion_networks")
    assert found["figures"] == ["linear_diffusion_networks"]
    rbm, data = found["rbm"], found["data"]
    weight, noise = rbm.coupling.weight.detach().numpy(), np.exp(rbm.visible.log_variance.detach().numpy())
    loadings = found["analysis"].components_.T
    # Woodbury's identity the other way: (Ψ⁻¹ - Ψ⁻¹ W W' Ψ⁻¹)⁻¹ = Ψ + W (1 - W' Ψ⁻¹ W)⁻¹ W'.
    inner = np.eye(3) - weight.T @ (weight / noise[:, None])
    assert np.linalg.eigvalsh(inner)[0] > 0
    covariance = np.diag(noise) + weight @ np.linalg.inv(inner) @ weight.T
    np.testing.assert_allclose(covariance, loadings @ loadings.T + np.diag(noise), atol=1e-12)
    np.testing.assert_allclose(found["of_rbm"], covariance, atol=1e-12)

    # The stationary covariance C of dx = -A x dt + √(2 D) dB solves A C + C A' = 2 D.
    drift = found["pace"][:, None] * found["precision"]
    stationary = solve_continuous_lyapunov(drift, 2 * np.diag(found["pace"]))
    np.testing.assert_allclose(stationary[:13, :13], covariance, atol=1e-9)
    assert np.abs(found["of_nets"] - covariance).mean() == pytest.approx(found["errors"][-1])
    assert found["errors"][-1] < 1.5 * found["sampled"] < found["errors"][0] / 5

    of_data = data.T @ data / len(data)
    expected = -0.5 * (13 * np.log(2 * np.pi) + np.linalg.slogdet(covariance)[1] + np.trace(np.linalg.solve(covariance, of_data)))
    nats = found["nats"]
    assert nats["factor analysis"] == pytest.approx(expected, abs=1e-9)
    assert nats["RBM"] == pytest.approx(expected, abs=1e-9)
    assert expected - 0.005 < nats["RBM that learnt"] <= expected + 1e-5
