"""An epoch's figures in words."""

SHOWN = {
    "reconstruction_error": "error {:.2f}",
    "wake_error": "wake {:.2f}",
    "sleep_error": "sleep {:.2f}",
    "pseudo_likelihood": "pseudo-log-likelihood {:.1f}",
    "free_energy_gap": "gap {:+.2f}",
    "mean_field_change": "mean field still changes by {:.0e}",
    "update_ratio": "update/weight {:.0e}",
    "dead": "dead {:.0%}",
    "saturated": "saturated {:.0%}",
    "swap_rate": "swaps {:.0%}",
    "least_swap_rate": "at least {:.0%}",
    "round_trips": "round trips {:.1f}",
    "train_loss": "loss {:.4f}",
    "train_error_percent": "training error {:.2f}%",
    "validation_error_percent": "validation error {:.2f}%",
    "averaged_error_percent": "averaged {:.2f}%",
}


def sentence(row: dict[str, float]) -> str:
    """One row of figures in words."""
    return "  ".join(form.format(row[name]) for name, form in SHOWN.items() if name in row)
