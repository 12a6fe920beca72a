"""How toys are seen: solids against their definitions, cameras, light and shadow against closed forms."""

import numpy as np
import pytest

from harmonium.data.toys import cameras, solids
from harmonium.data.toys.cameras import Camera, looking, seen, stereo
from harmonium.data.toys.five_kinds import KINDS, Toy, toy
from harmonium.data.toys.lamps import FAR, LIGHTINGS, Lighting, lamp, layers, over, shine

HALF = (0.5, 0.3, 0.8)
CENTRE = np.array([0.2, -0.1, 0.4])
TURN = solids.turned(35) @ solids.turned(-20, 1)  # first about y, then about z
ALONG = TURN @ (0, 0, 0.8)

# A point's coordinates along the turned axes -> is it inside? From what the solids are said to be, not from how they are stored.
INSIDE = {
    "ellipsoid": (solids.ellipsoid(CENTRE, HALF, TURN), lambda x, y, z: (x / 0.5) ** 2 + (y / 0.3) ** 2 + (z / 0.8) ** 2 <= 1),
    "cylinder": (solids.cylinder(CENTRE, (0.5, 0.3, 0.8), TURN), lambda x, y, z: ((x / 0.5) ** 2 + (y / 0.3) ** 2 <= 1) & (abs(z) <= 0.8)),
    "limb": (
        solids.limb(CENTRE - ALONG, CENTRE + ALONG, 0.3, 0.4),
        lambda x, y, z: (x**2 + y**2 <= 0.09 * (1 - 0.4 * (z / 0.8) ** 2)) & (abs(z) <= 0.8),
    ),
    # The front leans in from x = 0.5 at the bottom to 0.5 - 0.2 * 2 * 0.5 at the top, the back by half as much, the left by 0.1 * 2 * 0.3.
    "box": (
        solids.box(CENTRE, HALF, TURN, (0.2, 0.1, 0.1, 0)),
        lambda x, y, z: (
            (x <= 0.5 - 0.2 * (z + 0.8) / 1.6)
            & (x >= -0.5 + 0.1 * (z + 0.8) / 1.6)
            & (y <= 0.3 - 0.06 * (z + 0.8) / 1.6)
            & (y >= -0.3)
            & (abs(z) <= 0.8)
        ),
    ),
}


@pytest.mark.parametrize("name", INSIDE)
def test_lines_cross_solids_where_they_are(name):
    solid, inside = INSIDE[name]
    draw = np.random.default_rng(0)
    origins = CENTRE[:, None] + 3 * solids.unit(draw.standard_normal((3, 300)))
    aims = CENTRE[:, None] + draw.uniform(-0.7, 0.7, (3, 300))
    directions = aims - origins
    enter, leave = solids.crossing(solid, origins.astype(np.float32), directions.astype(np.float32))
    steps = np.linspace(0, 2, 4001)
    points = origins[..., None] + directions[..., None] * steps
    within = inside(*np.einsum("ij,i...->j...", TURN, points - CENTRE[:, None, None]))
    met = within.any(1)
    assert 60 < met.sum() < 290
    assert (leave < enter)[~met].mean() > 0.97  # one that grazes an edge can pass between two steps
    np.testing.assert_allclose(enter[met], steps[within[met].argmax(1)], atol=6e-4)
    np.testing.assert_allclose(leave[met], steps[4000 - within[met][:, ::-1].argmax(1)], atol=6e-4)
    # Outwards of the surface is outside, inwards is inside.
    at_surface = (origins + directions * enter)[:, met]
    outward = solids.normals(solid, at_surface.astype(np.float32))
    np.testing.assert_allclose((outward**2).sum(0), 1, atol=1e-5)
    for step, wanted in ((0.004, False), (-0.004, True)):
        place = np.einsum("ij,ik->jk", TURN, at_surface + step * outward - CENTRE[:, None])
        assert (inside(*place) == wanted).mean() > 0.97  # all but those at an edge


def test_normals_of_an_ellipsoid_are_its_gradient():
    points = solids.surface(INSIDE["ellipsoid"][0]).astype(float)
    x, y, z = TURN.T @ (points - CENTRE[:, None])
    np.testing.assert_allclose((x / 0.5) ** 2 + (y / 0.3) ** 2 + (z / 0.8) ** 2, 1, atol=1e-5)
    gradient = TURN @ np.stack([x / 0.25, y / 0.09, z / 0.64])
    found = solids.normals(INSIDE["ellipsoid"][0], points.astype(np.float32))
    np.testing.assert_allclose(found, gradient / np.linalg.norm(gradient, axis=0), atol=1e-4)


def test_the_silhouette_of_a_sphere():
    """Tangents from the pinhole to a sphere of radius 0.9: a circle for the camera that looks at it."""
    centre, radius = (0.3, -0.2, 0.5), 0.9
    camera = looking((5.3, 0.8, 4.5), centre, 240.0, 96)
    distance = np.sqrt(25 + 1 + 16)
    inside = np.isfinite(seen(camera, [solids.ellipsoid(centre, [radius] * 3)], fine=4).depth)
    rows, columns = ((np.argwhere(inside).T - 1.5) / 4).astype(float)
    expected = 240 * radius / np.sqrt(distance**2 - radius**2)
    assert rows.mean() == pytest.approx(47.5, abs=0.02)
    assert columns.mean() == pytest.approx(47.5, abs=0.02)
    assert inside.sum() / 16 == pytest.approx(np.pi * expected**2, rel=0.002)
    assert np.ptp(rows) / 2 == pytest.approx(expected, abs=0.15)


def test_two_cameras_see_a_sphere_from_the_side():
    sphere = [solids.ellipsoid((0, 0, 0.5), [0.8] * 3)]
    away = np.hypot(cameras.DISTANCE, cameras.BASELINE / 2)
    for camera, offset in zip(stereo((0, 0, 0.5), 40, 130), (-1, 1), strict=True):
        columns = (np.argwhere(np.isfinite(seen(camera, sphere, fine=4).depth))[:, 1] - 1.5) / 4
        beside = offset * cameras.BASELINE / 2
        tangents = np.tan(np.arctan(-beside / cameras.DISTANCE) + np.array([-1, 1]) * np.arcsin(0.8 / away))
        expected = 47.5 + camera.focal * (tangents + beside / cameras.DISTANCE)
        np.testing.assert_allclose([columns.min(), columns.max()], expected, atol=0.3)


@pytest.mark.parametrize(("elevation", "azimuth"), [(30, 0), (45, 90), (70, 340)])
def test_disparity_falls_with_depth(elevation, azimuth):
    """f b (1 / depth - 1 / distance) pixels, and none up or down."""
    target = np.array([0.1, -0.2, 0.6])
    up, around = np.radians([elevation, azimuth])
    away = np.array([np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up)])
    points = target[:, None] + np.random.default_rng(1).uniform(-0.7, 0.7, (3, 50))
    depths = cameras.DISTANCE - away @ (points - target[:, None])
    left, right = (camera.project(points.astype(np.float32)) for camera in stereo(target, elevation, azimuth))
    np.testing.assert_allclose(left[2], depths, rtol=1e-5)
    expected = cameras.RADIUS * cameras.DISTANCE * cameras.BASELINE * (1 / depths - 1 / cameras.DISTANCE)
    np.testing.assert_allclose(left[1] - right[1], expected, atol=2e-3)
    np.testing.assert_allclose(left[0], right[0], atol=1e-3)
    for camera in stereo(target, elevation, azimuth):
        np.testing.assert_allclose(camera.project(target[:, None].astype(np.float32))[:2], 47.5, atol=1e-3)


def test_a_ray_goes_through_what_is_seen_there():
    camera: Camera = stereo((0, 0, 0.4), 55, 200)[1]
    rows, columns = np.arange(3, 90, 29, dtype=np.float32), np.arange(5, 95, 17, dtype=np.float32)
    points = camera.position[:, None] + 7.3 * camera.rays(rows, columns)
    found = camera.project(points)
    np.testing.assert_allclose(found[0].reshape(len(rows), -1), np.broadcast_to(rows[:, None], (len(rows), len(columns))), atol=2e-3)
    np.testing.assert_allclose(found[1].reshape(len(rows), -1), np.broadcast_to(columns, (len(rows), len(columns))), atol=2e-3)
    np.testing.assert_allclose(found[2], 7.3, rtol=1e-5)


def test_the_nearest_of_solids_is_seen():
    near, far = solids.ellipsoid((1, 0, 0.5), [0.2] * 3), solids.ellipsoid((-1, 0, 0.5), [0.6] * 3)
    camera = looking((9, 0, 0.5), (0, 0, 0.5), 240.0, 95)
    for order in ([near, far], [far, near]):
        depth = seen(camera, order, fine=1).depth
        assert depth[47, 47] == pytest.approx(7.8, abs=1e-4)
        slope = 12 / 240  # of the ray that passes beside the near one: it meets the far one where (slope t)² + (t - 10)² = 0.6²
        assert depth[47, 59] == pytest.approx((10 - np.sqrt(100 - (1 + slope**2) * (100 - 0.36))) / (1 + slope**2), abs=1e-3)


def sphere_and_lamp(lighting, radius=0.9):
    ball = Toy([solids.ellipsoid((0, 0, 0.9), [radius] * 3)], np.array([0, 0, 0.9], dtype=np.float32), 0.6)
    up, around = np.radians(lighting.elevation), np.radians(lighting.azimuth + 60)
    place = np.array([0, 0, 0.9]) + FAR * np.array([np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up)])
    return ball, place


@pytest.mark.parametrize("lighting", [LIGHTINGS[0], LIGHTINGS[3]], ids=["beside", "behind"])
def test_a_sphere_shines_by_lamberts_law(lighting):
    ball, place = sphere_and_lamp(lighting)
    camera = stereo(ball.middle, 45, 60)[0]
    view = seen(camera, ball.solids)
    found = shine(view, camera, lamp(ball, lighting, 60), ball.paint, gloss=0.0)
    sides = 2 * np.argwhere(np.isfinite(view.depth)).T  # of half rays
    rows, columns = (sides / 2 - 0.5) / 2
    rays = camera.axes.T.astype(float) @ [
        (columns - 47.5) / camera.focal - camera.shift,
        (47.5 - rows) / camera.focal,
        np.ones(len(rows)),
    ]
    from_centre = camera.position.astype(float)[:, None] - [[0], [0], [0.9]]
    square, half, rest = (rays**2).sum(0), (rays * from_centre).sum(0), (from_centre**2).sum(0) - 0.81
    normal = (from_centre + rays * (-half - np.sqrt(np.maximum(half**2 - square * rest, 0))) / square) / 0.9
    to_lamp = place[:, None] - ([[0], [0], [0.9]] + 0.9 * normal)
    cosine = (normal * to_lamp).sum(0) / np.linalg.norm(to_lamp, axis=0)
    ambient = lighting.ambient * (0.7 + 0.3 * normal[2])
    lit, flat, dark = cosine > 0.45, (cosine > 0.15) & (cosine < 0.45), cosine < -0.02
    assert lit.sum() > 300
    assert flat.sum() > 300
    assert dark.sum() > 300
    np.testing.assert_allclose(found[lit], 0.6 * (ambient + lighting.strength * cosine)[lit], atol=3e-3)
    np.testing.assert_allclose(found[flat], 0.6 * (ambient + lighting.strength * cosine)[flat], atol=0.06)  # the sphere's own shadow begins
    np.testing.assert_allclose(found[dark], 0.6 * ambient[dark], atol=3e-3)


def test_a_highlight_is_where_a_mirror_would_show_the_lamp():
    lighting = LIGHTINGS[0]
    ball, place = sphere_and_lamp(lighting)
    camera = stereo(ball.middle, 45, 60)[1]
    view, light = seen(camera, ball.solids), lamp(ball, lighting, 60)
    shown = shine(view, camera, light, ball.paint) - shine(view, camera, light, ball.paint, gloss=0.0)
    normal = view.normals[:, shown.argmax()]
    point = np.array([0, 0, 0.9]) + 0.9 * normal
    to_lamp, to_eye = (each - point for each in (place, camera.position))
    mirrored = 2 * normal * (normal @ to_eye) - to_eye
    assert mirrored @ to_lamp / np.linalg.norm(mirrored) / np.linalg.norm(to_lamp) > 0.999


def test_the_shadow_lies_behind_the_toy_and_the_plane_is_even_elsewhere():
    lighting: Lighting = LIGHTINGS[2]
    ball, place = sphere_and_lamp(lighting, radius=0.3)  # in the air
    found = layers(ball, ([60.0], [60.0]), [2], 96)[0, 0, 0]
    centre = np.array([0, 0, 0.9])
    on_plane = place + (centre - place) * place[2] / (place[2] - 0.9)  # where the line from the lamp through the sphere's centre ends
    for camera, (light, missing) in zip(stereo(ball.middle, 60, 60), found, strict=True):
        row, column = (int(each[0].round()) for each in camera.project(on_plane[:, None].astype(np.float32))[:2])
        assert light[row, column] == 0
        assert missing[row, column] == pytest.approx(lighting.shadow, abs=0.01)
        direct = lighting.strength * np.sin(np.radians(lighting.elevation))
        assert lighting.shadow == pytest.approx(0.5 * direct / (direct + lighting.ambient))
        assert missing[0, 0] == missing[-1, -1] == 0
        assert missing[48, 48] == 1
        whole = over(np.stack([light, missing]), np.float32(lighting.ground))
        assert whole[0, 0] == lighting.ground
        assert whole[row, column] == pytest.approx(lighting.ground * (1 - lighting.shadow), abs=2)


@pytest.mark.parametrize("category", range(len(KINDS)))
def test_toys_stand_on_the_plane_and_fit_into_their_sphere(category):
    shapes = []
    for number in range(10):
        found = toy(category, number, 0)
        points = np.concatenate([solids.surface(solid) for solid in found.solids], axis=1)
        assert points[2].min() == pytest.approx(0, abs=1e-5)
        assert points[2].max() == pytest.approx(2 * found.middle[2], abs=1e-5)
        assert 0.84 < np.linalg.norm(points - found.middle[:, None], axis=0).max() < 1.01
        shapes.append(tuple(np.sort(points[2])[:: len(points[2]) // 50].round(3)))
    assert len(set(shapes)) == 10
    assert np.array_equal(toy(category, 3, 0).solids[0].frame, toy(category, 3, 0).solids[0].frame)
    assert not np.array_equal(toy(category, 3, 0).solids[0].frame, toy(category, 3, 1).solids[0].frame)
