"""Shapes of equal cost: the weights counted, and what a narrow top costs."""

import torch

from tests.gallery import prose
from tests.gallery.scripts import GALLERY, run


def test_layer_sizes() -> None:
    name = "plot_25_layer_sizes"
    assert not prose.without_source((GALLERY / f"{name}.py").read_text(), "")
    shapes = '{"even": (83, 83, 83), "wide top": (60, 60, 180), "very narrow top": (120, 102, 5)}'
    script = (GALLERY / f"{name}.py").read_text()
    for shape in ("(83, 83, 83)", "(60, 60, 180)", "(120, 102, 5)"):
        assert shape in script
    found = run(name, **{"NETS, LABELS": "2, 300", "PRETRAINING, EPOCHS": "10, 30", "SHAPES": f"{shapes} or {{"})
    assert found["figures"] == ["layer_sizes"]
    for shape in found["SHAPES"].values():
        net = torch.nn.Sequential(*(torch.nn.Linear(n, m) for n, m in zip((64, *shape), (*shape, 10), strict=True)))
        assert found["weights"](shape) == sum(module.weight.numel() for module in net)
        assert abs(found["weights"](shape) / 20_000 - 1) < 0.03
    for errors in (found["few"], found["all_labels"]):
        assert (errors["very narrow top"] > errors["even"] + 1).all()
        assert abs(errors["wide top"].mean() - errors["even"].mean()) < errors["very narrow top"].mean() - errors["even"].mean()
