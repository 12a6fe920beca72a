"""Training that diverges is stopped, with the tensor that shows it and what may be the cause."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from harmonium.models.saving import first_not_finite


def check_finite(tensors: Mapping[str, Tensor], step: int, epoch: int) -> None:
    """Raises a FloatingPointError that names the first tensor which holds NaN or infinity after a step of an epoch."""
    name = first_not_finite(tensors)
    if name is not None:
        raise FloatingPointError(
            f"training diverged: {name} is not finite at step {step} (epoch {epoch + 1}); likely causes: a learning "
            "rate that is too high (Gaussian units need 10 to 100 times less than binary ones), data that are not "
            "standardised, or no weight cost. The last checkpoint, if any, is kept as it was"
        )
