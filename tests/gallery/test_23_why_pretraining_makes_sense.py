"""Pre-training helps where the stuff behind the images makes the label, and not where the pixels do."""

import numpy as np

from tests.gallery.scripts import run


def test_why_pretraining_makes_sense() -> None:
    found = run("plot_23_why_pretraining_makes_sense", **{"NETS, CASES, TEST, UNITS": "4, 500, 1000, 50", "PRETRAINING, EPOCHS": "20, 30"})
    assert found["figures"] == ["why_pretraining_makes_sense"]
    medians = {key: float(np.median(values.numpy())) for key, values in found["errors"].items()}
    assert medians["parity of three bars", "with"] < 0.75 * medians["parity of three bars", "without"]
    assert medians["one pixel", "without"] <= medians["one pixel", "with"] < 5
    for kind in ("with", "without"):
        # Chance, within five standard errors of a net's error on 1,000 cases.
        assert np.abs(found["errors"]["parity of all pixels", kind].numpy() - 50).max() < 500 * (0.25 / 1000) ** 0.5

    # The images are of the bars: what noise leaves of them is a bar's ink.
    bars, images = found["bars"].numpy(), found["images"].numpy().reshape(-1, 8, 8)
    ink = np.array([[[row[y] or row[8 + x] for x in range(8)] for y in range(8)] for row in bars])
    assert abs((ink != images).mean() - 0.1) < 5 * (0.1 * 0.9 / images.size) ** 0.5
    assert abs(bars.mean() - 0.25) < 5 * (0.25 * 0.75 / bars.size) ** 0.5
