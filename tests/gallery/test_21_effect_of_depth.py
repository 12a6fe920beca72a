"""Without pre-training errors grow with depth; with it they do not. Smaller than the page: three layers, fewer epochs."""

import numpy as np
import pytest

from tests.gallery.scripts import run


@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_effect_of_depth() -> None:
    found = run("plot_21_effect_of_depth", **{"NETS, CASES, UNITS, DEPTHS": "4, 500, 50, 3", "PRETRAINING, EPOCHS": "8, 20"})
    assert found["figures"] == ["effect_of_depth"]
    medians = {key: float(np.median(values.numpy())) for key, values in found["errors"].items()}
    assert medians["without", 1] < 7
    assert medians["without", 1] < medians["without", 2] < medians["without", 3]
    assert medians["without", 3] > 30
    for depth in (1, 2, 3):
        assert medians["with", depth] < 7
        assert medians["with", depth] < medians["without", depth]
        assert np.ptp(found["errors"]["with", depth].numpy()) < 3

    # A net of d layers begins at the d lower machines of its stack.
    stack, net = found["stacks"][1], found["net"](found["stacks"][1], 2, 1, True)
    layers = [each for each in net if hasattr(each, "weight")]
    assert len(layers) == 3
    for rbm, layer in zip(stack.rbms[:2], layers[:2], strict=True):
        assert (layer.weight == rbm.coupling.weight.T).all()
        assert (layer.bias == rbm.hidden.bias).all()
