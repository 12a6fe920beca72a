"""A walk made up of sines, in the form of a captured one: for runs that need no data."""

from __future__ import annotations

import math

import torch

from harmonium.data.motion import Capture
from harmonium.data.skeleton import Skeleton

PARENTS = (-1, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 12, 9, 14, 15, 16)
OFFSETS = {
    1: (0, 92, 0),
    2: (0, 0, -400),
    3: (0, 0, -380),
    4: (180, 0, 0),
    5: (0, -92, 0),
    6: (0, 0, -400),
    7: (0, 0, -380),
    8: (180, 0, 0),
    9: (-50, 0, 200),
    10: (0, 0, 300),
    11: (0, 170, 30),
    12: (0, 0, -270),
    13: (0, 0, -240),
    14: (0, 0, 300),
    15: (0, -170, 30),
    16: (0, 0, -270),
    17: (0, 0, -240),
}
HINGES = {
    1: (-0.1, 0.4, 0.0),
    2: (0.5, 0.5, 1.2),
    5: (-0.1, 0.4, math.pi),
    6: (0.5, 0.5, math.pi + 1.2),
    11: (0.1, 0.3, math.pi),
    15: (0.1, 0.3, 0.0),
}


def made_up(frames: int = 600, seed: int = 0) -> Capture:
    """Two walks of other paces. A joint of a leg or an arm swings about the axis that points left.

    Parameters
    ----------
    frames
        Of each.
    seed
        Of a little noise.
    """
    generator = torch.Generator().manual_seed(seed)
    columns = [tuple(range(start, start + 3)) for start in range(0, 108, 3)]
    skeleton = Skeleton(PARENTS, tuple(columns[::2]), tuple(columns[1::2]))
    walks = []
    for period in (30.0, 36.0):
        walk = torch.zeros(frames, 108)
        phase = 2 * math.pi * torch.arange(frames) / period
        noise = 0.02 * torch.randn(frames, len(HINGES) + 6, generator=generator)
        walk[:, :6] = torch.tensor([math.pi / 2, math.pi / 2, 0.0, 1100 / period, 0.0, 870.0]) + noise[:, :6] * torch.tensor(
            [1, 1, 1, 50, 50, 50]
        )
        for joint, offset in OFFSETS.items():
            walk[:, list(skeleton.places[joint])] = torch.tensor(offset).float()
        for place, (joint, (middle, swing, lag)) in enumerate(HINGES.items()):
            walk[:, skeleton.turns[joint][1]] = middle - swing * torch.sin(phase + lag) + noise[:, 6 + place]
        walks.append(walk)
    return Capture(walks, skeleton)
