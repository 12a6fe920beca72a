"""Convex solids, each a quadric cut by planes: ellipsoids, boxes, cylinders and limbs, and where straight lines cross them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float32]

ENDS = np.array([(0.0, 0.0, 1.0), (0.0, 0.0, -1.0)])
UPRIGHT = np.eye(3)
TINY = 1e-9  # what a line's slope to a face is at least: of one that is parallel, the crossing is far away
DIRECTIONS = 400  # in which a solid's extent is found


class Solid(NamedTuple):
    """The points `centre + frame u` with `curvature · u² <= 1` and `planes u <= 1`; all of them have u in the cube from -1 to 1.

    Attributes
    ----------
    centre : numpy.ndarray
        (3,).
    frame : numpy.ndarray
        (3, 3), its columns are the half axes.
    curvature : numpy.ndarray
        (3,): of a sphere 1, 1, 1, of a cylinder 1, 1, 0, of a box 0, 0, 0.
    planes : numpy.ndarray
        (faces, 3), none for a sphere.
    """

    centre: Array
    frame: Array
    curvature: Array
    planes: Array


def _solid(centre: ArrayLike, frame: ArrayLike, curvature: ArrayLike, planes: ArrayLike) -> Solid:
    return Solid(*(np.asarray(part, dtype=np.float32) for part in (centre, frame, curvature, planes)))


def ellipsoid(centre: ArrayLike, half: Sequence[float], turn: ArrayLike = UPRIGHT) -> Solid:
    """An ellipsoid of these half axes, turned."""
    return _solid(centre, np.asarray(turn) * half, np.ones(3), np.empty((0, 3)))


def box(centre: ArrayLike, half: Sequence[float], turn: ArrayLike = UPRIGHT, lean: Sequence[float] = (0, 0, 0, 0)) -> Solid:
    """A box of these half axes, turned. `lean`: how far its front, back, left and right lean in, each a share of its length or width."""
    front, back, left, right = lean
    sides = [(1, 0, front), (-1, 0, back), (0, 1, left), (0, -1, right)]
    leaning = [np.array(side, dtype=float) / (1 - side[2]) for side in sides]
    return _solid(centre, np.asarray(turn) * half, np.zeros(3), [*leaning, *ENDS])


def cylinder(centre: ArrayLike, half: Sequence[float], turn: ArrayLike = UPRIGHT) -> Solid:
    """A cylinder along its third axis."""
    return _solid(centre, np.asarray(turn) * half, (1, 1, 0), ENDS)


def limb(start: ArrayLike, end: ArrayLike, radius: float, bulge: float = 0.4) -> Solid:
    """A limb between two points, of this radius in the middle; `bulge`: the share by which its ends' section is smaller."""
    start, end = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
    return _solid((start + end) / 2, across(end - start) * [radius, radius, np.linalg.norm(end - start) / 2], (1, 1, bulge), ENDS)


def across(direction: ArrayLike) -> NDArray[np.float64]:
    """A turn that takes the third axis to a direction: (3, 3)."""
    third = np.asarray(direction, dtype=float) / np.linalg.norm(direction)
    first = np.cross(np.eye(3)[np.abs(third).argmin()], third)
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(third, first), third], axis=1)


def turned(angle: float, axis: int = 2) -> NDArray[np.float64]:
    """A rotation about an axis, by an angle in degrees: (3, 3)."""
    found = np.eye(3)
    one, two = (axis + 1) % 3, (axis + 2) % 3
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    found[[one, one, two, two], [one, two, one, two]] = cos, -sin, sin, cos
    return found


def crossing(solid: Solid, origins: Array, directions: Array) -> tuple[Array, Array]:
    """Where lines enter a solid and where they leave it, in lengths of `directions`; a line that misses it leaves before it enters.

    Parameters
    ----------
    solid : Solid
        The solid.
    origins, directions : numpy.ndarray
        (3, lines), or (3, 1) for what all lines have in common.
    """
    inverse = np.linalg.inv(solid.frame)
    origin, direction = inverse @ (origins - solid.centre[:, None]), inverse @ directions
    enter, leave = np.full(1, -np.inf, dtype=np.float32), np.full(1, np.inf, dtype=np.float32)
    with np.errstate(divide="ignore", over="ignore"):
        if solid.curvature.any():
            curved = solid.curvature[:, None] * direction
            square = np.maximum((curved * direction).sum(0), TINY)  # of the equation square t² + 2 half t + rest = 0
            half = (curved * origin).sum(0)
            rest = (solid.curvature[:, None] * origin * origin).sum(0) - 1
            root = half * half - square * rest
            missed = root < 0
            root = np.sqrt(np.maximum(root, 0))
            enter, leave = np.where(missed, np.float32(np.inf), (-half - root) / square), (root - half) / square
        if len(solid.planes):
            slope = solid.planes @ direction
            slope = np.where(np.abs(slope) < TINY, np.float32(TINY), slope)
            meeting = (1 - solid.planes @ origin) / slope
            enter = np.maximum(enter, np.where(slope < 0, meeting, np.float32(-np.inf)).max(0))
            leave = np.minimum(leave, np.where(slope > 0, meeting, np.float32(np.inf)).min(0))
    return enter, leave


def normals(solid: Solid, points: Array) -> Array:
    """Outward unit normals at points of a solid's surface: (3, points). At a point of several faces, that of the outermost."""
    inverse = np.linalg.inv(solid.frame)
    inside = inverse @ (points - solid.centre[:, None])
    outward: Array = solid.curvature[:, None] * inside
    if len(solid.planes):
        heights = solid.planes @ inside
        flat = heights.max(0) > (outward * inside).sum(0)
        outward = np.where(flat, solid.planes[heights.argmax(0)].T, outward)
    return unit(np.asarray(inverse.T @ outward, dtype=np.float32))


def unit(vectors: Array) -> Array:
    """Vectors of length 1 in the same directions: (3, vectors)."""
    length: Array = np.sqrt((vectors * vectors).sum(0))
    return vectors / length


def surface(solid: Solid) -> Array:
    """Points of a solid's surface in many directions from its centre: (3, DIRECTIONS)."""
    each = np.arange(DIRECTIONS) + 0.5
    height, angle = 1 - 2 * each / DIRECTIONS, each * np.pi * (1 + 5**0.5)  # a Fibonacci sphere
    ring = np.sqrt(1 - height * height)
    rays = np.stack([ring * np.cos(angle), ring * np.sin(angle), height]).astype(np.float32)
    reach = np.sqrt((solid.curvature[:, None] * rays * rays).sum(0))
    if len(solid.planes):
        reach = np.maximum(reach, (solid.planes @ rays).max(0))
    found: Array = solid.centre[:, None] + solid.frame @ (rays / reach)
    return found


def moved(solid: Solid, shift: ArrayLike, scale: float) -> Solid:
    """The solid shifted, and then scaled about the origin."""
    return solid._replace(
        centre=((solid.centre + np.asarray(shift, dtype=np.float32)) * scale).astype(np.float32), frame=solid.frame * np.float32(scale)
    )
