"""What all models have in common: how a notebook shows them."""

from __future__ import annotations

from torch import nn

from harmonium.notebook import as_html


class Shown(nn.Module):
    """A model that a notebook shows as a table of its layers and a picture of its first weights (`harmonium.report.card`)."""

    _repr_html_ = as_html
