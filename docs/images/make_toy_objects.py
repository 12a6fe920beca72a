"""Makes toy_objects.png: toys of each category from several directions and in several lightings, and pairs of the jittered set.

python docs/images/make_toy_objects.py          # seconds
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

import harmonium as hm
from harmonium.data.norb import NAMES
from harmonium.data.toys import cluttered
from harmonium.data.toys.five_kinds import toy
from harmonium.data.toys.lamps import layers

HERE = Path(__file__).parent
TURNED = [(4, elevation, azimuth, 0) for elevation, azimuth in ((30, 40), (40, 120), (50, 220), (70, 300))]
LIT = [(4, 35, 40, lighting) for lighting in (1, 3, 5)]
OTHERS = [(0, 35, 320, 4), (2, 45, 60, 0), (8, 40, 140, 2)]
GAP, SIDE = 2, 96


def row(tiles: list[np.ndarray]) -> np.ndarray:
    """Tiles beside each other."""
    return np.concatenate([np.pad(tile, GAP, constant_values=255) for tile in tiles], axis=1)


def moved() -> list[np.ndarray]:
    """A pair of each category in the jittered set, the left and the right image."""
    draw = np.random.default_rng(1)
    clutter = cluttered.Clutter.drawn([toy(category, 6, 0) for category in range(len(NAMES))], draw)
    shown = [layers(toy(category, 4, 0), ([40.0], [60.0]), [category], cluttered.SIDE)[0, 0] for category in range(len(NAMES))]
    pairs = [cluttered.jittered(each, clutter, category, draw)[0][0] for category, each in enumerate(shown)]
    return [np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.LANCZOS)) for pair in pairs for image in pair]


if __name__ == "__main__":
    views = TURNED + LIT + OTHERS
    rows = [row([hm.data.toy_objects.render(name, *view)[0].numpy() for view in views]) for name in NAMES]
    Image.fromarray(np.concatenate([*rows, row(moved())])).save(HERE / "toy_objects.png", optimize=True)
