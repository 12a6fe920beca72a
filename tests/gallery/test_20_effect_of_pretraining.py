"""Pre-trained nets err less, at the end and at equal training loss: the outputs once more, in NumPy."""

import numpy as np
from scipy.special import expit, log_softmax

from tests.gallery.scripts import run


def judged(net, images, labels) -> tuple[float, float]:
    """Mean cross-entropy, and the percentage of wrong labels, of one net from its weights alone."""
    x = images.numpy().astype(float)
    layers = [(each.weight.detach().numpy(), each.bias.detach().numpy()) for each in net if hasattr(each, "weight")]
    for place, (weight, bias) in enumerate(layers):
        x = x @ weight.T + bias
        x = expit(x) if place < len(layers) - 1 else x
    y = labels.numpy()
    return -log_softmax(x, axis=1)[np.arange(len(y)), y].mean(), 100 * (x.argmax(1) != y).mean()


def test_effect_of_pretraining() -> None:
    found = run("plot_20_effect_of_pretraining", **{"NETS, CASES, UNITS": "6, 500, 50", "PRETRAINING, EPOCHS": "10, 40"})
    assert found["figures"] == ["effect_of_pretraining"]
    curves, final, equal = found["curves"], found["final"], found["equal"]
    for kind in ("without", "with"):
        net = found["nets"][kind].take(2)
        loss, _ = judged(net, found["images"], found["labels"])
        test_loss, error = judged(net, found["test_images"], found["test_labels"])
        np.testing.assert_allclose(curves[kind][-1, :2, 2], (loss, test_loss), rtol=1e-4)
        assert abs(final[kind][2].item() - error) < 0.1  # a tie between two outputs may go either way
        # Neither kind is stuck: all fit the training cases.
        assert curves[kind][-1, 0].max() < 0.1
        reached = curves[kind][:, 0] <= found["level"]
        assert [curves[kind][:, 2, n][reached[:, n]][0] for n in range(6)] == equal[kind].tolist()

    assert final["with"].median() + 0.5 < final["without"].median()
    assert equal["with"].median() + 0.3 < equal["without"].median()
    assert found["changes"]["with"] < 1 < found["changes"]["without"]

    # No random net begins at a stack's weights, and no layer reaches beyond 1/√k.
    begins = found["net"](found["stacks"][0], 0, False)
    for layer in (each for each in begins if hasattr(each, "weight")):
        most, reach = layer.weight.abs().max().item(), layer.in_features**-0.5
        assert 0.95 * reach < most <= reach
