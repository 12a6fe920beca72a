"""Pinhole cameras, two of them side by side, and what they see of solids: for each ray the nearest one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from harmonium.data.toys.solids import Array, Solid, crossing, normals, turned

DISTANCE = 8.0  # from the toy's middle to the point between the cameras; a toy has a radius of about 1
BASELINE = 1.5  # between the two cameras
RADIUS = 34.0  # pixels in which a toy's radius is seen
FINE = 2  # rays of a pixel, down and across
CUBE = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float32).T


class Camera(NamedTuple):
    """A pinhole camera. What is `right, up` of it at a depth is seen in

    column = middle + focal (right / depth + shift),  row = middle - focal up / depth.

    Attributes
    ----------
    position : numpy.ndarray
        (3,), the pinhole.
    axes : numpy.ndarray
        (3, 3): its rows are the directions to the right, up, and forward.
    focal : float
        Pixels at depth 1 to a length of 1.
    shift : float
        How far the picture is shifted to the right, in focal lengths.
    side : int
        Pixels of its square picture, down and across.
    """

    position: Array
    axes: Array
    focal: float
    shift: float
    side: int

    def project(self, points: Array) -> tuple[Array, Array, Array]:
        """Rows, columns and depths of points, (3, points); the middle of the first pixel is (0, 0)."""
        right, up, depth = self.axes @ (points - self.position[:, None])
        middle = np.float32((self.side - 1) / 2)
        scale = np.float32(self.focal) / depth
        return middle - scale * up, middle + scale * right + np.float32(self.focal * self.shift), depth

    def rays(self, rows: Array, columns: Array) -> Array:
        """Directions of depth 1 through the places of a grid: (3, rows · columns)."""
        middle = np.float32((self.side - 1) / 2)
        right = (columns - middle) / np.float32(self.focal) - np.float32(self.shift)
        up = (middle - rows) / np.float32(self.focal)
        turn = self.axes.T
        directions = turn[:, :1, None] * right + (turn[:, 1:2, None] * up[:, None] + turn[:, 2:, None])
        return directions.reshape(3, -1)


class Seen(NamedTuple):
    """What a camera sees of solids.

    Attributes
    ----------
    depth : numpy.ndarray
        (fine · side, fine · side), the depth of the nearest solid on each ray, infinite where there is none.
    points, normals : numpy.ndarray
        (3, rays), of the rays that meet a solid, in the order of `depth`.
    """

    depth: Array
    points: Array
    normals: Array


def looking(position: ArrayLike, target: ArrayLike, focal: float, side: int) -> Camera:
    """A camera at a position that sees the target in its middle, upright."""
    place, forward = np.asarray(position, dtype=float), np.asarray(target, dtype=float) - np.asarray(position)
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, (0, 0, 1))
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(right, forward), forward])
    return Camera(place.astype(np.float32), axes.astype(np.float32), focal, 0.0, side)


def stereo(target: ArrayLike, elevation: float, azimuth: float, side: int = 96) -> tuple[Camera, Camera]:
    """Two parallel cameras, left and right, whose pictures are shifted so that the target is in the middle of both.

    Parameters
    ----------
    target : sequence of float
        (3,).
    elevation, azimuth : float
        Direction from the target to the point between the cameras, in degrees above the horizon and around the toy.
    side : int
        Pixels of a picture, down and across.
    """
    away = turned(azimuth) @ (np.cos(np.radians(elevation)), 0, np.sin(np.radians(elevation)))
    middle = looking(np.asarray(target) + DISTANCE * away, target, RADIUS * DISTANCE, side)
    left, right = (
        middle._replace(position=middle.position + np.float32(offset) * middle.axes[0], shift=offset / DISTANCE)
        for offset in (-BASELINE / 2, BASELINE / 2)
    )
    return left, right


def seen(camera: Camera, solids: Sequence[Solid], fine: int = FINE) -> Seen:
    """What a camera sees of solids, by `fine` x `fine` rays a pixel.

    Parameters
    ----------
    camera : Camera
        The camera, outside of all solids.
    solids : sequence of Solid
        The solids.
    fine : int
        Rays of a pixel, down and across.
    """
    size = fine * camera.side
    places = (np.arange(size, dtype=np.float32) - np.float32((fine - 1) / 2)) / np.float32(fine)
    depth, owner = np.full((size, size), np.inf, dtype=np.float32), np.full((size, size), -1, dtype=np.int16)
    origin = camera.position[:, None]
    for number, solid in enumerate(solids):
        rows, columns, _ = camera.project(solid.centre[:, None] + solid.frame @ CUBE)
        down, right = (_within(found, places) for found in (rows, columns))
        enter, leave = crossing(solid, origin, camera.rays(places[down], places[right]))
        near, mine = depth[down, right], owner[down, right]  # views: what is written there is written in the whole
        nearer = ((enter <= leave) & (enter < near.ravel())).reshape(near.shape)
        near[nearer] = enter[nearer.ravel()]
        mine[nearer] = number
    hit = owner.ravel() >= 0
    owners = owner.ravel()[hit]
    points = origin + camera.rays(places, places)[:, hit] * depth.ravel()[hit]
    outward = np.empty_like(points)
    for number, solid in enumerate(solids):
        its = np.flatnonzero(owners == number)
        outward[:, its] = normals(solid, points[:, its])
    return Seen(depth, points, outward)


def _within(found: Array, places: Array) -> slice:
    return slice(int(np.searchsorted(places, found.min())), int(np.searchsorted(places, found.max(), side="right")))
