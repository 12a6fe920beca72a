"""Verification under changes of contrast: the probabilities from the weights, written out in NumPy."""

import numpy as np

from tests.gallery.scripts import run


def test_contrast_of_pairs() -> None:
    found = run("plot_32_contrast_of_pairs")
    assert found["figures"] == ["contrast_of_pairs"]
    judged, truth, factors = found["judged"].double().numpy(), found["truth"].numpy(), np.array(found["FACTORS"])
    assert truth.mean() == 0.5
    assert np.allclose(judged.mean(-1), 0, atol=1e-5)
    assert np.allclose((judged**2).mean(-1), 1, atol=1e-4)

    without = found["nets"]["rectified, no biases"]
    (weight,) = [each.detach().double().numpy() for name, each in without[:-1].named_parameters() if name.endswith("weight")]
    slope, offset = (float(each.detach()) for each in (without[-1].weight, without[-1].bias))
    one, other = np.maximum(0, judged @ weight.T).swapaxes(0, 1)
    cosine = (one * other).sum(1) / np.maximum(np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1), 1e-30)
    probability = 1 / (1 + np.exp(-(slope * cosine + offset)))
    for said in found["said"]["rectified, no biases"].numpy():
        np.testing.assert_allclose(said, probability, atol=1e-5)
    assert found["moved"]["rectified, no biases"] < 1e-5

    usual = int(np.flatnonzero(factors == 1)[0])
    for name, right in found["right"].items():
        counted = [100 * ((said > 0.5) == truth).mean() for said in found["said"][name].numpy()]
        np.testing.assert_allclose(right.numpy(), counted)
        assert counted[usual] > 80
        if name != "rectified, no biases":
            assert min(counted) < counted[usual] - 5
            assert found["moved"][name] > 0.1
