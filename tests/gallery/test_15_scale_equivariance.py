"""Scale equivariance: the law, and the cosines, against features computed here."""

import numpy as np
import pytest
from scipy import special, stats

from tests.gallery.scripts import run


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).mean())


def copies(x: np.ndarray) -> np.ndarray:
    """The mean of endless copies with biases -½, -1½, ..., as far as these inputs go."""
    return sum(special.expit(x - n - 0.5) for n in range(int(x.max()) + 40))


def test_scale_equivariance() -> None:
    found = run("plot_15_scale_equivariance")
    assert found["figures"] == ["scale_equivariance", "cosine_of_scaled_features"]

    x = np.linspace(-3, 3, 121)
    laws = {
        "rectified, no bias": lambda x: np.maximum(x, 0),
        "rectified, bias 1": lambda x: np.maximum(x + 1, 0),
        "noise of variance 1": lambda x: x * stats.norm.cdf(x) + stats.norm.pdf(x),
        "offset copies": copies,
    }
    for name, law in laws.items():
        expected = max(np.abs(law(a * x) / a - law(x)).max() for a in (1, 2, 8))
        assert found["departure"][name] == pytest.approx(expected, abs=2e-4), name
    assert found["departure"]["rectified, no bias"] < 1e-6
    assert min(value for name, value in found["departure"].items() if name != "rectified, no bias") > 0.3

    inputs, others = (found[name].double().numpy() @ found["filters"].double().numpy() for name in ("pairs", "others"))
    scales = found["scales"].double().numpy()
    laws["binary"] = special.expit
    del laws["noise of variance 1"]  # draws, seen below
    for name, law in laws.items():
        for a, same, different in zip(scales[::8], found["same"][name][::8], found["different"][name][::8], strict=True):
            assert same.item() == pytest.approx(cosine(law(a * inputs), law(inputs)), abs=2e-4), name
            assert different.item() == pytest.approx(cosine(law(a * inputs), law(others)), abs=2e-4), name

    spread = {name: (values.max() - values.min()).item() for name, values in found["different"].items()}
    assert spread["rectified, no bias"] < 1e-5
    assert found["same"]["rectified, no bias"].min() > 1 - 1e-5
    for name in spread.keys() - {"rectified, no bias"}:
        assert spread[name] > 0.05, name
        assert found["same"][name].min() < 0.95, name

    # Noisy features, drawn: in NumPy with draws of its own.
    rng = np.random.default_rng(0)
    noisy = [np.maximum(0, each + rng.normal(size=inputs.shape)) for each in (inputs / 16, inputs)]
    assert found["same"]["noise of variance 1"][0].item() == pytest.approx(cosine(*noisy), abs=0.02)
