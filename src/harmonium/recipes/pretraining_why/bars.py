"""Images of bars under noise, and labels that the bars or the pixels decide."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from harmonium.recipes.shared.sigmoid_nets import Cases

SIDE = 8
ON, NOISE = 0.25, 0.1
BARS = (0, 9, 3)  # row 0, column 1, row 3
PIXELS = (9, 30, 52)

TASKS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "parity of 2 bars": lambda bars, image: parity(bars[:, BARS[:2]]),
    "parity of 3 bars": lambda bars, image: parity(bars[:, BARS]),
    "one pixel": lambda bars, image: image[:, PIXELS[0]].long(),
    "parity of 2 pixels": lambda bars, image: parity(image[:, PIXELS[:2]]),
    "parity of all pixels": lambda bars, image: parity(image),
}
"""Name -> labels of bars (cases, 16) and images (cases, 64), both bool: (cases,)."""


def parity(bits: Tensor) -> Tensor:
    """1 where the number of ones is odd, else 0: (cases,)."""
    return bits.sum(1) % 2


def draw(cases: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Bars, (cases, 16), and images, (cases, 64), both bool.

    Each of eight rows and eight columns is a bar with probability 1/4; a pixel is inked where a bar is, and one in ten is then changed.
    """
    bars = torch.rand(cases, 2 * SIDE, generator=generator) < ON
    ink = bars[:, :SIDE, None] | bars[:, None, SIDE:]
    return bars, (ink ^ (torch.rand(cases, SIDE, SIDE, generator=generator) < NOISE)).flatten(1)


def labelled(task: str, cases: int, test_cases: int, seed: int, device: str) -> Cases:
    """Training and test cases of a task; the images of a seed are the same for every task."""
    generator = torch.Generator().manual_seed(seed)
    drawn = [draw(count, generator) for count in (cases, test_cases)]
    images, test_images = (image.float().to(device) for _, image in drawn)
    labels, test_labels = (TASKS[task](*each).to(device) for each in drawn)
    return Cases(images, labels, test_images, test_labels)
