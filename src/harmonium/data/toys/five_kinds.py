"""Five kinds of toys, each a function that draws a toy's proportions and pose and puts its solids together: forward is x, up is z."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harmonium.data.toys.solids import Array, Solid, across, box, cylinder, ellipsoid, limb, moved, surface, turned
from harmonium.seeds import derive

SIZES = (0.85, 1.0)  # of a toy: the radius of the sphere around its middle
PAINT = (0.5, 0.75)  # the share of light that a toy sends back

Draw = np.random.Generator
Place = NDArray[np.float64]


class Toy(NamedTuple):
    """A toy that stands on the plane z = 0.

    Attributes
    ----------
    solids : list of Solid
        What it is made of.
    middle : numpy.ndarray
        (3,), half its height above the plane.
    paint : float
        The share of light that it sends back.
    """

    solids: list[Solid]
    middle: Array
    paint: float


def toy(category: int, number: int, seed: int) -> Toy:
    """The toy of a category that has this number."""
    draw = np.random.default_rng(derive(seed, category, number))
    solids = KINDS[category](draw)
    points = np.concatenate([surface(solid) for solid in solids], axis=1)
    low, high = points.min(1), points.max(1)
    centre = (low + high) / 2
    scale = draw.uniform(*SIZES) / np.sqrt(((points - centre[:, None]) ** 2).sum(0).max())
    shift = -at(centre[0], centre[1], low[2])
    height = scale * (high[2] - low[2])
    return Toy([moved(solid, shift, scale) for solid in solids], np.array([0, 0, height / 2], dtype=np.float32), draw.uniform(*PAINT))


def at(x: float, y: float, z: float) -> Place:
    """A place, or a way."""
    return np.array([x, y, z], dtype=float)


def _both(centre: tuple[float, float, float]) -> list[tuple[float, float, float]]:
    """A place and its mirror image."""
    return [centre, (centre[0], -centre[1], centre[2])]


def animal(draw: Draw) -> list[Solid]:
    """Four legs, a body, a neck, a head, a tail, and ears or horns."""
    long, wide, high = draw.uniform(0.75, 1.2), draw.uniform(0.24, 0.46), draw.uniform(0.28, 0.5)
    leg, thick = draw.uniform(0.3, 1.1), draw.uniform(0.08, 0.17)
    slope = draw.uniform(-12, 12)
    middle = leg + 0.7 * high
    body = ellipsoid((0, 0, middle), (long, wide, high), turned(slope, 1))
    hump = ellipsoid((draw.uniform(-0.5, 0.5) * long, 0, middle + 0.35 * high), (0.45 * long, 0.85 * wide, draw.uniform(0.5, 0.95) * high))
    found = [body, hump]
    for place in (0.62 * long, -0.62 * long):
        for x, y, _ in _both((place, 0.6 * wide, 0)):
            foot = x + draw.uniform(-0.22, 0.22)
            found.append(limb((foot, y, 0.04), (x, y, middle), thick))
            found.append(ellipsoid((foot + 0.05, y, 0.07), (1.3 * thick, 1.1 * thick, 0.07)))
    neck, lift = draw.uniform(0.15, 0.9), np.radians(draw.uniform(5, 75))
    root = at(0.75 * long, 0, middle + 0.2 * high)
    end = root + neck * at(np.cos(lift), 0, np.sin(lift))
    size = draw.uniform(0.17, 0.3)
    turn = turned(draw.uniform(-35, 35))
    ahead = turn @ (1, 0, draw.uniform(-0.6, 0))
    found += [limb(root - 0.2 * (end - root), end, draw.uniform(0.12, 0.24), 0.3), ellipsoid(end, (1.25 * size, size, size), turn)]
    found.append(ellipsoid(end + draw.uniform(0.9, 1.7) * size * ahead, (draw.uniform(0.6, 1.2) * size, 0.55 * size, 0.5 * size), turn))
    ear, apart = draw.uniform(0.1, 0.38), draw.uniform(0.15, 0.9)
    for x, y, z in _both((-0.3 * size, 0.55 * size, 0.6 * size)):
        base = end + turn @ (x, y, z)
        found.append(limb(base, base + ear * (turn @ (-0.2, np.sign(y) * apart, 1)), draw.uniform(0.04, 0.09), 0.9))
    tail = at(-0.9 * long, 0, middle + 0.3 * high)
    found.append(limb(tail, tail + draw.uniform(0.2, 0.85) * at(-0.8, draw.uniform(-0.4, 0.4), draw.uniform(-0.9, 0.5)), 0.06, 0.6))
    return found


def human(draw: Draw) -> list[Solid]:
    """A figure in some pose, on a base or not, perhaps with a hat, a staff or a pack."""
    wide, deep = draw.uniform(0.2, 0.32), draw.uniform(0.13, 0.22)
    leg, trunk, thick = draw.uniform(0.6, 0.95), draw.uniform(0.5, 0.7), draw.uniform(0.075, 0.12)
    crouch = draw.uniform(0, 0.45)
    hip = leg * (1 - 0.5 * crouch)
    bend = np.radians(draw.uniform(-5, 30))
    chest = at(trunk * np.sin(bend), 0, hip + trunk * np.cos(bend))
    body = limb((0, 0, hip - 0.1), chest, wide, 0.35)
    found = [body._replace(frame=body.frame * np.array([[deep / wide], [1], [1]], dtype=np.float32))]
    head = draw.uniform(0.14, 0.2)
    top = chest + at(0.06, 0, 1.05 * head)
    found += [ellipsoid(top, (head, 0.9 * head, 1.15 * head)), limb(chest - at(0, 0, 0.1), top, 0.08)]
    for side in (1, -1):
        stride = draw.uniform(-0.35, 0.45)
        foot = at(stride, side * draw.uniform(0.12, 0.35), 0.06)
        knee = (at(0.2 + crouch * leg, 0.5 * side * wide, hip) + foot) / 2
        found += [
            limb((0, 0.5 * side * wide, hip), knee, 1.15 * thick),
            limb(knee, foot, thick),
            ellipsoid(foot + at(0.07, 0, 0), (0.17, 0.08, 0.06)),
        ]
        shoulder = chest + at(0, side * wide, -0.1)
        upper, lower = (_direction(draw, side) for _ in range(2))
        elbow = shoulder + draw.uniform(0.28, 0.36) * upper
        hand = elbow + draw.uniform(0.26, 0.34) * lower
        found += [limb(shoulder, elbow, 0.85 * thick), limb(elbow, hand, 0.7 * thick), ellipsoid(hand, (0.08, 0.08, 0.08))]
    if draw.random() < 0.5:
        found.append(cylinder(top + at(0, 0, 0.6 * head), (draw.uniform(1.2, 1.9) * head, draw.uniform(1.2, 1.9) * head, 0.03)))
        found.append(cylinder(top + at(0, 0, 1.1 * head), (0.8 * head, 0.8 * head, 0.5 * head)))
    if draw.random() < 0.5:  # a staff, a spear or a gun in the right hand
        along = _direction(draw, -1) + at(0.6, 0, 0.6)
        found.append(limb(hand - 0.4 * along, hand + 0.55 * along, 0.04, 0))
    if draw.random() < 0.4:
        found.append(box(chest - at(deep + 0.1, 0, 0.25), (0.12, 0.8 * wide, 0.25)))
    if draw.random() < 0.5:
        found.append(cylinder((0.05, 0, 0.0), (draw.uniform(0.4, 0.55), draw.uniform(0.35, 0.5), 0.04)))
    return found


def _direction(draw: Draw, side: int) -> Place:
    """Where an arm points: outward or forward, up or down."""
    found = at(draw.uniform(-0.4, 1), side * draw.uniform(0, 0.9), draw.uniform(-1, 0.7))
    return np.array(found / np.linalg.norm(found))


def airplane(draw: Draw) -> list[Solid]:
    """A fuselage with wings, a tail, and propellers or jets."""
    thick, height = draw.uniform(0.13, 0.24), draw.uniform(0.25, 0.4)
    body = [ellipsoid((0, 0, height), (1.25, thick, thick)), cylinder((0.15, 0, height), (thick, thick, 0.5), across((1, 0, 0)))]
    span, chord, sweep = draw.uniform(0.7, 1.35), draw.uniform(0.18, 0.42), draw.uniform(-0.05, 0.75)
    rise, taper = draw.uniform(-0.08, 0.22), draw.uniform(0, 0.35)
    place, level = draw.uniform(-0.1, 0.35), height + draw.choice([-0.6, 0, 0.8]) * thick
    found = list(body)
    decks = (level, level + 0.42) if draw.random() < 0.25 else (level,)
    for deck in decks:
        found += _wings((place, 0, deck), span, chord, sweep, rise, taper)
    if len(decks) > 1:
        found += [
            limb((place - 0.5 * sweep * span, y, decks[0]), (place - 0.5 * sweep * span, y, decks[1]), 0.03)
            for y in (0.5 * span, -0.5 * span)
        ]
    fin, high = draw.uniform(0.22, 0.48), draw.random() < 0.3
    found.append(_blade((-1.0, 0, height), (-1.0 - 0.5 * fin, 0, height + fin + thick), draw.uniform(0.14, 0.22)))
    found += _wings(
        (-0.98 - (0.4 * fin if high else 0), 0, height + (fin if high else 0.3 * thick)),
        0.38 * span + 0.08,
        0.5 * chord + 0.05,
        0.7 * sweep,
        0.1,
        taper,
    )
    found.append(ellipsoid((draw.uniform(0.45, 0.75), 0, height + 0.7 * thick), (0.25, 0.6 * thick, 0.6 * thick)))
    engine = draw.integers(3)
    if engine == 0:  # a propeller at the nose
        angle = draw.uniform(0, 180)
        found += [
            cylinder((1.22, 0, height), (0.3, 0.04, 0.02), across((1, 0, 0)) @ turned(angle)),
            ellipsoid((1.24, 0, height), (0.08, 0.06, 0.06)),
        ]
    else:  # engines below the wings, one or two on each
        for share in (0.35, 0.65)[:engine]:
            x = place + 0.12 - share * sweep * span
            found += [
                cylinder((x, y, level + share * rise * span - 0.09), (0.085, 0.085, 0.2), across((1, 0, 0)))
                for y in (share * span, -share * span)
            ]
    for x, y in ((0.75, 0), (0, 0.25), (0, -0.25)):
        found += [cylinder((x, y, 0.06), (0.07, 0.07, 0.03), across((0, 1, 0))), limb((x, y, 0.06), (x, 0.5 * y, height), 0.025)]
    return found


def _wings(root: tuple[float, float, float], span: float, chord: float, sweep: float, rise: float, taper: float) -> list[Solid]:
    x, _, z = root
    return [_blade((x, 0, z), (x - sweep * span, y, z + rise * span), chord, taper) for y in (span, -span)]


def _blade(root: tuple[float, float, float], tip: tuple[float, float, float], chord: float, taper: float = 0.2) -> Solid:
    """A flat plate from root to tip that keeps its chord along x."""
    start, end = np.asarray(root), np.asarray(tip)
    along = (end - start) / 2
    flat = np.cross((1, 0, 0), along)
    frame = np.stack([(chord, 0, 0), 0.035 * flat / np.linalg.norm(flat), along], axis=1)
    return box((start + end) / 2, (1, 1, 1), frame, (taper, taper, 0, 0))


def _wheels(places: list[float], wide: float, radius: float, thick: float) -> list[Solid]:
    return [cylinder((x, y, radius), (radius, radius, thick), across((0, 1, 0))) for x in places for y in (wide, -wide)]


def truck(draw: Draw) -> list[Solid]:
    """A cab and a load on many wheels: a box, a tank, a tipper, or nothing but a crane."""
    wide, wheel = draw.uniform(0.3, 0.42), draw.uniform(0.13, 0.2)
    back = draw.uniform(0.9, 1.4)
    floor = 1.5 * wheel
    cab, tall = draw.uniform(0.22, 0.36), draw.uniform(0.26, 0.4)
    bonnet = draw.uniform(0.15, 0.35) if draw.random() < 0.4 else 0.0
    found = [box((-0.5 * back + cab + 0.5 * bonnet, 0, floor), (0.5 * back + cab + 0.5 * bonnet, 0.9 * wide, 0.06))]
    found.append(box((cab, 0, floor + tall), (cab, wide, tall), lean=(draw.uniform(0, 0.25), 0, 0.04, 0.04)))
    if bonnet:
        found.append(
            box((2 * cab + 0.5 * bonnet, 0, floor + 0.45 * tall), (0.5 * bonnet + 0.03, 0.8 * wide, 0.45 * tall), lean=(0.1, 0, 0.05, 0.05))
        )
    centre, half = -0.5 * back - 0.05, 0.5 * back - 0.02
    load, high = draw.integers(4), draw.uniform(0.28, 0.52)
    if load == 0:
        found.append(box((centre, 0, floor + 0.06 + high), (half, draw.uniform(1, 1.12) * wide, high)))
    elif load == 1:
        radius = draw.uniform(0.8, 1.05) * wide
        found.append(cylinder((centre, 0, floor + 0.06 + radius), (radius, radius, half), across((1, 0, 0))))
    elif load == 2:  # a tipper: its floor and walls, raised at the front
        tilt = turned(draw.uniform(0, 30), 1)
        hinge = at(centre - half, 0, floor + 0.08)
        for place, size in (
            ((1, 0, 0), (half, wide, 0.04)),
            ((1, 1, 0.5), (half, 0.03, high / 2)),
            ((1, -1, 0.5), (half, 0.03, high / 2)),
            ((2, 0, 0.6), (0.04, wide, 0.6 * high)),
        ):
            found.append(box(hinge + tilt @ (place[0] * half, place[1] * wide, place[2] * high), size, tilt))
    else:
        base = at(centre + draw.uniform(-0.3, 0.5) * half, 0, floor + 0.15)
        tip = base + draw.uniform(0.7, 1.2) * (turned(draw.uniform(120, 240)) @ (0.75, 0, draw.uniform(0.3, 1)))
        found += [cylinder(base, (0.2, 0.2, 0.15)), limb(base, tip, 0.07, 0), box((centre, 0, floor + 0.1), (half, wide, 0.05))]
        found.append(limb(tip, (tip[0], tip[1], 0.5 * tip[2]), 0.02, 0))
    places = [
        1.1 * cab + bonnet,
        -0.85 * back,
        *([-0.85 * back + 2.3 * wheel] if draw.random() < 0.6 else []),
        *([-0.3 * back] if draw.random() < 0.3 else []),
    ]
    return found + _wheels(places, 0.88 * wide, wheel, 0.07)


def car(draw: Draw) -> list[Solid]:
    """A low body with a cabin on four wheels: saloon, estate, sports car, jeep."""
    wide, low, wheel = draw.uniform(0.36, 0.48), draw.uniform(0.12, 0.22), draw.uniform(0.15, 0.23)
    floor = 0.8 * wheel
    found = [box((0, 0, floor + low), (1, wide, low), lean=(draw.uniform(0, 0.12), draw.uniform(0, 0.1), 0.06, 0.06))]
    nose, tail = draw.uniform(0.25, 0.8), draw.uniform(0.0, 0.6)
    cabin = (2 - nose - tail) / 2
    high = draw.uniform(0.11, 0.27)
    slant = (draw.uniform(0.1, 0.35), draw.uniform(0.05, 0.35), 0.14, 0.14)
    found.append(box((1 - nose - cabin, 0, floor + 2 * low + high), (cabin, 0.92 * wide, high), lean=slant))
    found.append(box((1 - 0.5 * nose, 0, floor + 2 * low), (0.5 * nose, 0.75 * wide, draw.uniform(0.02, 0.07)), lean=(0.2, 0, 0.2, 0.2)))
    found += [box((x, 0, floor + 0.4 * low), (0.05, 0.95 * wide, 0.06)) for x in (1.0, -1.0)]
    if draw.random() < 0.3:  # a spoiler
        found.append(box((-0.95, 0, floor + 2 * low + 0.13), (0.1, 0.85 * wide, 0.025)))
        found += [box((-0.93, y, floor + 2 * low + 0.06), (0.04, 0.03, 0.08)) for y in (0.6 * wide, -0.6 * wide)]
    if draw.random() < 0.3:  # a rack on the roof
        found += [box((1 - nose - cabin, 0, floor + 2 * low + 2 * high + 0.05), (0.5 * cabin, 0.6 * wide, 0.05))]
    return found + _wheels([draw.uniform(0.55, 0.68), draw.uniform(-0.68, -0.55)], 0.95 * wide, wheel, 0.08)


KINDS: tuple[Callable[[Draw], list[Solid]], ...] = (animal, human, airplane, truck, car)
