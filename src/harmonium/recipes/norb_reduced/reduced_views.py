"""Two views of few toy objects, for a smoke run of the reduced images."""

from __future__ import annotations

from itertools import product

import torch

from harmonium.data import toy_objects
from harmonium.data.norb import NAMES, TOYS, reduced
from harmonium.recipes.shared.norb_views import Views

FEW = {"training": TOYS["training"][:2], "testing": TOYS["testing"][:1]}  # toys of each category


def drawn() -> Views:
    """Two views of few toy objects."""
    facts = [(*toy, azimuth, part) for part, own in FEW.items() for toy in product(range(len(NAMES)), own) for azimuth in (40, 200)]
    pairs = torch.stack([toy_objects.render(NAMES[category], toy, 40, azimuth, 0) for category, toy, azimuth, _ in facts])
    categories, toys = (torch.tensor([fact[place] for fact in facts]) for place in range(2))
    return Views(reduced(pairs), categories, toys, torch.tensor([part == "training" for *_, part in facts]))
