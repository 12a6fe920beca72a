"""Top-down effects on noisy digits: what the page says of their use is so, by the same steps written out in NumPy."""

import numpy as np
from scipy.special import expit

from tests.gallery.scripts import run


def test_top_down_effects_under_structured_noise() -> None:
    found = run("plot_12_structured_noise")
    assert found["figures"] == ["structured_noise"]
    truth = found["digits"].test_labels.numpy()
    weights = {name: value.double().numpy() for name, value in found["dbn"].state_dict().items()}
    wrong: dict[str, dict[str, np.ndarray]] = {}
    nearer: dict[str, dict[str, bool]] = {}
    clean = found["digits"].test_images.double().numpy() / 255
    for way, (path, robust) in found["chosen"].items():
        wrong[way], nearer[way] = {}, {}
        for kind, seen in found["test"].items():
            predicted, reconstructions = recognise(weights, seen.double().numpy() / 255, path, robust)
            wrong[way][kind] = (predicted != truth).astype(float)
            # Free energies of two labels may differ by less than single precision shows.
            assert (wrong[way][kind] != found["errors"][way][kind].numpy()).sum() <= 1, (way, kind)
            far = np.sqrt(((np.stack(reconstructions) - clean) ** 2).mean((1, 2)))
            nearer[way][kind] = far[-1] < far[0]
            if way in found["distance"]:
                np.testing.assert_allclose(found["distance"][way][kind].numpy(), far, atol=1e-4)

    assert wrong["bottom-up"]["clean"].mean() < 0.1
    for kind in found["noises"]:
        assert in_standard_errors(wrong["doubting pixels"][kind] - wrong["bottom-up"][kind]) < -2, kind
        assert nearer["doubting pixels"][kind], kind
        assert not nearer["top-down"][kind], kind
    assert wrong["doubting pixels"]["border"].mean() < 0.5 * wrong["bottom-up"]["border"].mean()
    assert in_standard_errors(wrong["top-down"]["border"] - wrong["bottom-up"]["border"]) < -2
    gains = {kind: (wrong["bottom-up"][kind] - wrong["top-down"][kind]).mean() for kind in found["noises"]}
    assert max(gains, key=gains.get) == "border"
    for kind in found["noises"]:
        assert in_standard_errors(wrong["top-down"][kind] - wrong["bottom-up"][kind]) < 2, kind
    assert not nearer["top-down"]["clean"]
    for way in ("top-down", "doubting pixels"):
        assert in_standard_errors(wrong[way]["clean"] - wrong["bottom-up"]["clean"]) < 2, way


def in_standard_errors(change: np.ndarray) -> float:
    """A mean paired difference in its standard errors."""
    return float(change.mean() / (change.std() / np.sqrt(len(change))))


def recognise(
    weights: dict[str, np.ndarray], v: np.ndarray, path: list[tuple[float, float]], robust: float | None
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The class of each case after the steps (α, β) of the path, (cases,), and what the first hidden layer would see after each."""
    w1, w2 = weights["recognition.0.coupling.weight"], weights["recognition.1.coupling.weight"]
    w3, labels = np.split(weights["top.coupling.weight"], [-10])
    up1, up2 = weights["recognition.0.unit.bias"], weights["recognition.1.unit.bias"]
    down0, down1 = weights["generative.0.unit.bias"], weights["generative.1.unit.bias"]
    b2, by, c3 = weights["top.visible.parts.0.bias"], weights["top.visible.parts.1.bias"], weights["top.hidden.bias"]
    first, y = expit(v @ w1 + up1), np.tile(softmax(by), (len(v), 1))
    above, reconstructions = np.zeros_like(first), []
    for step in [None, *path]:
        if step is not None:
            alpha, beta = step
            if robust is None:
                seen = v
            else:
                expected = expit(first @ w1.T + down0)
                likely = (1 - robust) * expected**v * (1 - expected) ** (1 - v)
                clean = likely / (likely + robust / 2)  # an unknown pixel is on half of the time: ½ᵛ ½¹⁻ᵛ
                seen = clean * v + (1 - clean) * expected
            bias = (alpha * up1 + beta * down1) / (alpha + beta)
            first = expit(alpha * (seen @ w1) + beta * above + bias)
            reconstructions.append(expit(first @ w1.T + down0))
        features = expit(first @ w2 + up2)
        h = expit(features @ w3 + y @ labels + c3)
        y = softmax(h @ labels.T + by)
        above = expit(h @ w3.T + b2) @ w2.T
    input = features @ w3 + c3
    free_energy = -by - np.stack([np.logaddexp(0, input + labels[k]).sum(1) for k in range(10)], axis=1)
    return free_energy.argmin(1), reconstructions


def softmax(x: np.ndarray) -> np.ndarray:
    p = np.exp(x - x.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True)
