"""What a convolutional stack has become."""

from __future__ import annotations

from harmonium.models import DBN
from harmonium.report import Section, filters, learning_curves
from harmonium.runs.folder import Run


def sections(run: Run, stack: DBN) -> list[Section]:
    """The report's parts, pictures first: the kernels of the first layer, and learning."""
    kernels = stack.rbms[0].coupling.get_parameter("weight").detach()  # (maps, 1, height, width)
    shape = (int(kernels.shape[2]), int(kernels.shape[3]))
    curves = {phase: [{k: v for k, v in row.items() if k not in ("step", "seconds")} for row in h] for phase, h in run.histories().items()}
    return [
        Section(
            "Kernels",
            "What each map of the first layer looks for, everywhere in the image: red where ink turns it on, blue where ink turns it off. "
            "Look for strokes and edges of several directions; many tiles alike are maps that do the same work.",
            [(filters(kernels.flatten(1).T, shape, count=len(kernels)), f"The {len(kernels)} kernels. Each tile has its own scale.")],
        ),
        Section(
            "Learning",
            "Each phase against its epochs: the layers one after the other, then backpropagation from them and from random weights.",
            [(learning_curves(curves), "Errors of the nets are those of their training cases, at the weights of each update.")],
        ),
    ]
