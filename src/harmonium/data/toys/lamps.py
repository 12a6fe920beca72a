"""Six lightings of a toy on a bright plane: lamps with soft shadows, and the grey that a camera sees of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harmonium.data.toys.cameras import FINE, Camera, Seen, looking, seen, stereo
from harmonium.data.toys.five_kinds import Toy
from harmonium.data.toys.solids import Array, turned, unit

FAR = 12.0  # from a lamp to the toy's middle
MAP = 96  # places of a lamp's picture, down and across
SPREAD = 2.0  # places over which a shadow's edge is smooth
LIFT = 0.06  # how far behind the nearest solid a point is before that solid shades it
SHADOW = 0.5  # of the light that a shadow lacks, how much the plane lacks: other places are bright and light it
GLOSS, SHARPNESS = 0.18, 24.0  # of the paint's highlight


class Lighting(NamedTuple):
    """A lamp and what else there is of light.

    Attributes
    ----------
    azimuth, elevation : float
        The lamp's direction in degrees, to the cameras' own azimuth and above the plane.
    strength, ambient : float
        Of the lamp's light, and of that from everywhere.
    ground : float
        The grey level of the plane outside of shadows, from 0 to 255.
    """

    azimuth: float
    elevation: float
    strength: float
    ambient: float
    ground: float

    @property
    def shadow(self) -> float:
        """How much darker the plane is where no light of the lamp arrives, as a share."""
        direct = self.strength * np.sin(np.radians(self.elevation))
        return float(SHADOW * direct / (direct + self.ambient))


LIGHTINGS = (
    Lighting(40, 60, 0.75, 0.45, 206),
    Lighting(-50, 55, 0.85, 0.35, 198),
    Lighting(110, 50, 0.80, 0.40, 212),
    Lighting(-120, 60, 0.70, 0.30, 190),
    Lighting(0, 75, 0.60, 0.65, 220),
    Lighting(70, 40, 1.00, 0.25, 201),
)


class Lamp(NamedTuple):
    """A lamp, and what it lights.

    Attributes
    ----------
    lighting : Lighting
        Its lighting.
    camera : Camera
        Sees what the lamp lights.
    depth : numpy.ndarray
        (MAP, MAP): how far away that is.
    shade : numpy.ndarray
        (MAP, MAP) from 0 to 1: how much of the light does not reach the plane.
    """

    lighting: Lighting
    camera: Camera
    depth: Array
    shade: Array


def lamp(toy: Toy, lighting: Lighting, azimuth: float) -> Lamp:
    """The lamp of a lighting where the cameras stand at `azimuth`."""
    from scipy.ndimage import gaussian_filter  # here, so that importing the package does not wait for SciPy

    elevation = np.radians(lighting.elevation)
    away = turned(azimuth + lighting.azimuth) @ (np.cos(elevation), 0, np.sin(elevation))
    camera = looking(toy.middle + FAR * away, toy.middle, 0.42 * MAP * FAR, MAP)
    depth = seen(camera, toy.solids, fine=1).depth
    return Lamp(lighting, camera, depth, gaussian_filter(np.isfinite(depth).astype(np.float32), SPREAD))


def layers(toy: Toy, where: tuple[Sequence[float], Sequence[float]], lightings: Sequence[int], side: int) -> Array:
    """What both cameras see of a toy in all directions and lightings, as two layers that any ground can be put behind.

    Parameters
    ----------
    toy : Toy
        The toy.
    where : tuple of sequences of float
        Elevations and azimuths of the cameras, in degrees.
    lightings : sequence of int
        Places in `LIGHTINGS`.
    side : int
        Pixels of a picture, down and across.

    Returns
    -------
    numpy.ndarray
        (elevations, azimuths, lightings, 2 cameras, 2 layers, side, side). Layer 0 is the grey that the toy sends, from 0 to 255; layer
        1 the share of the ground's grey that does not arrive, as the toy hides or shades the ground. See `over`.
    """
    elevations, azimuths = where
    found = np.empty((len(elevations), len(azimuths), len(lightings), 2, 2, side, side), dtype=np.float32)
    places = np.arange(side, dtype=np.float32)
    for column, azimuth in enumerate(azimuths):
        lamps = [lamp(toy, LIGHTINGS[number], azimuth) for number in lightings]
        for row, elevation in enumerate(elevations):
            for number, camera in enumerate(stereo(toy.middle, elevation, azimuth, side)):
                view = seen(camera, toy.solids)
                rays = camera.rays(places, places)
                plane = camera.position[:, None] - rays * (camera.position[2] / rays[2])
                hidden = _mean(np.isfinite(view.depth))
                for place, light in enumerate(lamps):
                    grey = np.zeros(view.depth.shape, dtype=np.float32)
                    grey[np.isfinite(view.depth)] = np.minimum(255 * shine(view, camera, light, toy.paint), 255)
                    shade = light.lighting.shadow * _shade(light, plane).reshape(side, side)
                    found[row, column, place, number] = _mean(grey), 1 - (1 - hidden) * (1 - shade)
    return found


def over(shown: Array, ground: Array) -> Array:
    """Pictures of layers, (..., 2, side, side), before a ground of these grey levels: (..., side, side)."""
    found: Array = shown[..., 0, :, :] + (1 - shown[..., 1, :, :]) * ground
    return found


def shine(view: Seen, camera: Camera, light: Lamp, paint: float, gloss: float = GLOSS) -> Array:
    """The light that a toy sends to the camera, of what falls on it: (rays,).

    Parameters
    ----------
    view : Seen
        What the camera sees of the toy.
    camera, light : Camera, Lamp
        The camera and the lamp.
    paint : float
        The share of light that the paint sends back to all sides (Lambert's law).
    gloss : float
        The strength of the highlight.

    Notes
    -----
    Blinn, "Models of light reflection for computer synthesized pictures" (SIGGRAPH 1977), for the highlight.
    """
    to_lamp, to_eye = (unit(place.position[:, None] - view.points) for place in (light.camera, camera))
    direct = np.maximum((to_lamp * view.normals).sum(0), 0) * _lit(light, view.points)
    halfway = np.maximum((unit(to_lamp + to_eye) * view.normals).sum(0), 0)
    strength, ambient = light.lighting.strength, light.lighting.ambient * (0.7 + 0.3 * view.normals[2])  # more of it comes from above
    found: Array = paint * (ambient + strength * direct) + gloss * strength * halfway**SHARPNESS * (direct > 0)
    return found


def _lit(light: Lamp, points: Array) -> Array:
    """The share of the lamp's light that reaches points of the toy."""
    rows, columns, depth = light.camera.project(points)
    nearest = depth - np.float32(LIFT)
    return _between(rows, columns, lambda place: light.depth.ravel()[place] > nearest)


def _shade(light: Lamp, points: Array) -> Array:
    """The share of the lamp's light that does not reach points of the plane."""
    rows, columns, _ = light.camera.project(points)
    return _between(rows, columns, light.shade.ravel().__getitem__)


def _between(rows: Array, columns: Array, value: Callable[[NDArray[np.int64]], NDArray[Any]]) -> Array:
    """What a lamp's picture has between four places, whose values are those of `value`."""
    rows, columns = (np.clip(each, 0, MAP - 1.001) for each in (rows, columns))
    row, column = rows.astype(np.int64), columns.astype(np.int64)
    down, right = rows - row.astype(np.float32), columns - column.astype(np.float32)
    first = row * MAP + column
    upper = value(first) * (1 - right) + value(first + 1) * right
    lower = value(first + MAP) * (1 - right) + value(first + MAP + 1) * right
    return np.asarray(upper * (1 - down) + lower * down, dtype=np.float32)


def _mean(fine: NDArray[Any]) -> Array:
    """The mean over the rays of each pixel."""
    side = len(fine) // FINE
    found: Array = fine.reshape(side, FINE, side, FINE).astype(np.float32).mean((1, 3))
    return found
