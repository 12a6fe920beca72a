"""Films, decoded: frames, sizes, times and pixels; and in the report, with a still beside them."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

import harmonium as hm
from harmonium.report import Section, fantasies, film, write_report

from .test_html import Page

FRAMES = np.random.default_rng(0).random((6, 4, 5, 7))  # chains, frames, height, width
SCALE = 84 // 7


def decoded(png):
    image = Image.open(io.BytesIO(png))
    found, times = [], []
    for number in range(image.n_frames):
        image.seek(number)
        found.append(np.asarray(image.convert("L")))
        times.append(image.info.get("duration"))
    return found, times


def sheet(tiles, columns):
    """Tiles from 0 to 1 with a white pixel round each, written out by loops, then enlarged."""
    rows = -(-len(tiles) // columns)
    found = np.full((rows * 6 + 1, columns * 8 + 1), 255)
    for place, tile in enumerate(tiles):
        for y, x in np.ndindex(tile.shape):
            found[1 + (place // columns) * 6 + y, 1 + (place % columns) * 8 + x] = round(255 * tile[y, x])
    return np.kron(found, np.ones((SCALE, SCALE)))


@pytest.mark.parametrize("columns", [1, 3, 4, 6])
def test_every_frame_is_the_mosaic_of_its_tiles(columns):
    frames, times = decoded(film(FRAMES, columns=columns, limits=(0, 1), seconds=0.2, hold=0.9).moving)
    assert len(frames) == 4
    assert times == [200, 200, 200, 900]
    for time, frame in enumerate(frames):
        np.testing.assert_array_equal(frame, sheet(FRAMES[:, time], columns))


def test_the_still_is_the_last_frame():
    found = film(FRAMES, columns=3, limits=(0, 1))
    frames, _ = decoded(found.still)
    assert len(frames) == 1
    np.testing.assert_array_equal(frames[0], sheet(FRAMES[:, -1], 3))


def test_films_run_again_and_again():
    assert Image.open(io.BytesIO(film(FRAMES).moving)).info["loop"] == 0


def test_all_frames_share_one_scale_and_what_is_not_finite_is_white():
    frames = np.array([[[[2.0, 4.0]], [[6.0, np.nan]]]])
    first, last = decoded(film(frames).moving)[0]
    step = 84 // 2
    assert [first[step, step], first[step, 2 * step]] == [0, 128]
    assert [last[step, step], last[step, 2 * step]] == [255, 255]
    first, _ = decoded(film(frames, limits=(3.0, 3.5)).moving)[0]
    assert [first[step, step], first[step, 2 * step]] == [0, 255]


def test_one_frame_is_a_picture():
    frames, _ = decoded(film(FRAMES[:, :1], columns=3, limits=(0, 1)).moving)
    np.testing.assert_array_equal(frames[0], sheet(FRAMES[:, 0], 3))


def test_wide_films_fit_the_page_and_small_ones_are_readable():
    assert decoded(film(np.zeros((40, 1, 28, 28)), columns=40).moving)[0][0].shape == (30, 40 * 29 + 1)
    assert decoded(film(np.zeros((10, 1, 28, 28))).moving)[0][0].shape == (90, 873)


def test_ten_chains_of_thirty_frames_are_small_whatever_they_show():
    frames = np.random.default_rng(0).random((10, 30, 28, 28))
    assert len(film(frames).moving) < 500_000


@pytest.mark.parametrize("shape", [(3, 4, 5), (0, 4, 5, 7), (6, 0, 5, 7)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"\(chains, frames, height, width\)"):
        film(np.zeros(shape))


@pytest.mark.parametrize("options", [{"seconds": 0}, {"hold": -1}, {"columns": 0}])
def test_times_and_columns_below_what_can_be_are_refused(options):
    with pytest.raises(ValueError, match=r"more than 0 seconds|columns must be"):
        film(FRAMES, **options)


def test_the_report_shows_the_film_and_the_figures_beside(tmp_path):
    chains = hm.data.digits.load().test_images[:60].reshape(10, 6, 8, 8)
    moving = film(chains, limits=(0, 255))
    section = Section("Fantasies", "", [(moving, "Ten chains & more"), (fantasies(chains), "the same, still")])
    path = write_report(tmp_path / "report.html", title="t", summary="", sections=[section], facts={})
    page = Page(path.read_text(encoding="utf-8"))
    embedded, figure = page.all("img")
    assert base64.b64decode(embedded["src"].removeprefix("data:image/png;base64,"), validate=True) == moving.moving
    assert [embedded["alt"], figure["alt"]] == page.said("figcaption") == ["Ten chains & more", "the same, still"]
    assert base64.b64decode(figure["src"].removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    (still,) = page.all("source")
    assert "prefers-reduced-motion" in still["media"]
    assert base64.b64decode(still["srcset"].removeprefix("data:image/png;base64,"), validate=True) == moving.still
