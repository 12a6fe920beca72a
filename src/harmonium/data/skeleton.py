"""A skeleton of joints: where they are in space, from frames of motion capture."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Skeleton(NamedTuple):
    """A tree of joints, and which numbers of a frame turn and place each.

    Attributes
    ----------
    parents : tuple of int
        The number of each joint's parent, which is lower than its own; -1 for the root, joint 0.
    turns : tuple of tuple of int
        Three columns of a frame for each joint: its rotation as an exponential map (axis times angle, in radians). The root has the angles
        of its forward and its left axis to the downward vertical, and the turn about the vertical until the next frame.
    places : tuple of tuple of int
        Three columns for each joint: its offset from its parent in the parent's axes, in mm. The root has its velocities forward and to the
        right, in mm a frame, and its height.
    """

    parents: tuple[int, ...]
    turns: tuple[tuple[int, ...], ...]
    places: tuple[tuple[int, ...], ...]

    @property
    def bones(self) -> list[tuple[int, int]]:
        """Joints that are joined: (parent, child) numbers."""
        return [(parent, joint) for joint, parent in enumerate(self.parents) if parent >= 0]

    def positions(self, frames: Tensor) -> Tensor:
        """Where the joints are, from a start above the origin, facing along the first axis.

        Parameters
        ----------
        frames : torch.Tensor
            (time, columns), one sequence.

        Returns
        -------
        torch.Tensor
            (time, joints, 3) float64, in mm; the last axis of the three is upward.

        Examples
        --------
        A root and one joint 2 mm above it, which goes forward by 3 mm a frame and turns left by a quarter circle between frames:

        >>> import math, torch
        >>> from harmonium.data.skeleton import Skeleton
        >>> upright = [math.pi / 2, math.pi / 2, math.pi / 2, 3, 0, 1, 0, 0, 0, 0, 0, 2]
        >>> skeleton = Skeleton((-1, 0), ((0, 1, 2), (6, 7, 8)), ((3, 4, 5), (9, 10, 11)))
        >>> skeleton.positions(torch.tensor([upright, upright, upright]))[:, 1].round().int().tolist()
        [[0, 0, 3], [3, 0, 3], [3, 3, 3]]
        """
        frames = frames.double()
        turned, placed = (frames[:, list(columns[0])] for columns in (self.turns, self.places))
        heading = _before(turned[:, 2])
        axes = [_upright(turned[:, 0], turned[:, 1], heading)]
        right = placed[:, 1]
        along = torch.stack(
            [heading.cos() * placed[:, 0] + heading.sin() * right, heading.sin() * placed[:, 0] - heading.cos() * right, placed[:, 2]],
            dim=1,
        )
        points = [torch.cat([_before(along[:, :2]), placed[:, 2:]], dim=1)]
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                offset = frames[:, list(self.places[joint])]
                points.append(points[parent] + (axes[parent] @ offset[:, :, None])[:, :, 0])
                axes.append(axes[parent] @ _rotation(frames[:, list(self.turns[joint])]))
        return torch.stack(points, dim=1)


def _before(values: Tensor) -> Tensor:
    """The sum of all earlier values."""
    return values.cumsum(0) - values


def _rotation(maps: Tensor) -> Tensor:
    """(time, 3, 3) of exponential maps (time, 3)."""
    x, y, z = maps.unbind(1)
    none = torch.zeros_like(x)
    found: Tensor = torch.linalg.matrix_exp(torch.stack([none, -z, y, z, none, -x, -y, x, none], dim=1).reshape(-1, 3, 3))
    return found


def _upright(forward: Tensor, left: Tensor, heading: Tensor) -> Tensor:
    """The root's axes, forward, left and up, as columns: (time, 3, 3), from the angles of the first two to the downward vertical."""
    a, b = (torch.cos(math.pi - angle).clamp(-0.999, 0.999) for angle in (forward, left))
    level = (1 - a * a).sqrt()
    first = torch.stack([heading.cos() * level, heading.sin() * level, a], dim=1)
    sideways = torch.stack([-heading.sin(), heading.cos(), torch.zeros_like(a)], dim=1)
    share = (b / level).clamp(-1, 1)
    second = share[:, None] * torch.linalg.cross(first, sideways) + (1 - share * share).sqrt()[:, None] * sideways
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=2)
